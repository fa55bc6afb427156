/* skim.c - members of JSON that this program has written, found by their braces and quotes. */
#include "server/skim.h"

/* Behind the string that begins at `at`. */
static size_t behind_string(pw_str text, size_t at)
{
    for (at++; at < text.len && text.ptr[at] != '"'; at++)
        if (text.ptr[at] == '\\')
            at++;
    return at + 1;
}

/* Behind the value that begins at `at`: at the ',' or '}' of the object that it is in. */
static size_t behind_value(pw_str text, size_t at)
{
    for (size_t depth = 0; at < text.len;) {
        char c = text.ptr[at];
        if (c == '"') {
            at = behind_string(text, at);
            continue;
        }
        if (c == '{' || c == '[')
            depth++;
        else if (depth > 0 && (c == '}' || c == ']'))
            depth--;
        else if (depth == 0 && (c == ',' || c == '}'))
            break;
        at++;
    }
    return at < text.len ? at : text.len;
}

pw_str pw_skim(pw_str object, const char *name)
{
    size_t at = 1;
    while (at < object.len && object.ptr[at] == '"') {
        size_t end = behind_string(object, at);
        if (end >= object.len)
            break;
        pw_str key = { object.ptr + at + 1, end - at - 2 };
        size_t last = behind_value(object, end + 1); /* ':' */
        if (pw_str_is(key, name))
            return (pw_str){ object.ptr + end + 1, last - end - 1 };
        at = last + 1;
    }
    return (pw_str){ 0 };
}

pw_str pw_skim_text(pw_str object, const char *name)
{
    pw_str text = pw_skim(object, name);
    if (text.len < 2 || text.ptr[0] != '"' || memchr(text.ptr, '\\', text.len))
        return (pw_str){ 0 };
    return (pw_str){ text.ptr + 1, text.len - 2 };
}

bool pw_skim_number(pw_str object, const char *name, uint64_t *out)
{
    pw_str text = pw_skim(object, name);
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        *out = 10 * *out + (uint64_t)(text.ptr[i] - '0');
    }
    return text.len > 0 && text.len < 20;
}
