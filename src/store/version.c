/* version.c - which of two versions is newer. */
#include "store/store_internal.h"

typedef struct version {
    pw_str number[3];
    pw_str pre; /* after '-'; empty: a release */
} version;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes the text up to the first of `ends`, or all, off the front of *rest; *end is what ended it.
 */
static pw_str take(pw_str *rest, const char *ends, char *end)
{
    size_t len = 0;
    while (len < rest->len && !strchr(ends, rest->ptr[len]))
        len++;
    pw_str part = { rest->ptr, len };
    *end = len < rest->len ? rest->ptr[len] : '\0';
    size_t skip = len < rest->len ? len + 1 : len;
    *rest = (pw_str){ rest->ptr + skip, rest->len - skip };
    return part;
}

static bool is_number(pw_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.ptr[i]))
            return false;
    }
    return s.len > 0;
}

static bool version_parse(version *out, pw_str text)
{
    if (text.len == 0 || memchr(text.ptr, '\0', text.len))
        return false;
    char end = '\0';
    pw_str rest = text;
    pw_str core = take(&rest, "+", &end); /* build metadata has no order */
    rest = core;
    pw_str numbers = take(&rest, "-", &end);
    out->pre = end == '-' ? rest : (pw_str){ "", 0 };
    if (end == '-' && rest.len == 0)
        return false;
    rest = numbers;
    for (int i = 0; i < 3; i++) {
        out->number[i] = take(&rest, ".", &end);
        if (!is_number(out->number[i]) || (end == '.') != (i < 2))
            return false;
    }
    return true;
}

/* Of digits of any length. */
static int number_cmp(pw_str a, pw_str b)
{
    while (a.len > 1 && a.ptr[0] == '0')
        a = (pw_str){ a.ptr + 1, a.len - 1 };
    while (b.len > 1 && b.ptr[0] == '0')
        b = (pw_str){ b.ptr + 1, b.len - 1 };
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return pw_str_cmp(a, b);
}

static int pre_cmp(pw_str a, pw_str b)
{
    if (a.len == 0 || b.len == 0)
        return (a.len == 0) - (b.len == 0); /* a release is above its pre-releases */
    while (a.len > 0 && b.len > 0) {
        char end = '\0';
        pw_str x = take(&a, ".", &end), y = take(&b, ".", &end);
        bool x_number = is_number(x), y_number = is_number(y);
        int order = x_number && y_number   ? number_cmp(x, y)
                    : x_number != y_number ? (x_number ? -1 : 1)
                                           : pw_str_cmp(x, y);
        if (order != 0)
            return order;
    }
    return (a.len > 0) - (b.len > 0); /* more identifiers are higher */
}

int pw_version_cmp(pw_str a, pw_str b)
{
    version x, y;
    bool x_good = version_parse(&x, a), y_good = version_parse(&y, b);
    int order = (int)x_good - (int)y_good;
    if (order == 0 && x_good) {
        for (int i = 0; i < 3 && order == 0; i++)
            order = number_cmp(x.number[i], y.number[i]);
        if (order == 0)
            order = pre_cmp(x.pre, y.pre);
    }
    return order != 0 ? order : pw_str_cmp(a, b);
}
