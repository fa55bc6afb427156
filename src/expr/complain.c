/* complain.c - what jq says of a text that is no JSON.
 *
 * The parser in base/ finds that a text is wrong, and says so in its own words. Those who catch an
 * error of `fromjson` know jq's words and places, which follow from how jq reads: a word is judged
 * at the character behind it, a string at its closing quote, a value when the next one begins. So
 * the text is read once more in that way, only to find the words. What is JSON is not decided here.
 */
#include <stdio.h>

#include "expr/vm_internal.h"
#include "base/json.h"

typedef struct level {
    bool object, key, filled; /* key: one waits for its value; filled: has items or members */
} level;

typedef enum held { HELD_NONE, HELD_STRING, HELD_OTHER } held;

typedef struct reading {
    pw_str text;
    size_t word; /* where a word began */
    bool in_word;
    held held;       /* a value that is complete, but not yet in its container */
    unsigned values; /* that are complete outside of all containers */
    level *levels;
    size_t depth, size;
} reading;

static level *innermost(reading *r)
{
    return r->depth > 0 ? &r->levels[r->depth - 1] : NULL;
}

static const char *hold(reading *r, held what)
{
    if (r->held != HELD_NONE)
        return "Expected separator between values";
    r->held = what;
    return NULL;
}

static bool is_number(pw_str word)
{
    size_t i = word.len > 0 && word.ptr[0] == '-', digits = i;
    while (i < word.len && word.ptr[i] >= '0' && word.ptr[i] <= '9')
        i++;
    if (i == digits || (word.ptr[digits] == '0' && i > digits + 1))
        return false;
    if (i < word.len && word.ptr[i] == '.')
        for (digits = ++i; i < word.len && word.ptr[i] >= '0' && word.ptr[i] <= '9';)
            i++;
    if (i == digits)
        return false;
    if (i < word.len && (word.ptr[i] == 'e' || word.ptr[i] == 'E')) {
        i++;
        i += i < word.len && (word.ptr[i] == '+' || word.ptr[i] == '-');
        for (digits = i; i < word.len && word.ptr[i] >= '0' && word.ptr[i] <= '9';)
            i++;
    }
    return i == word.len && i > digits;
}

/* The word that ended before `end`. */
static const char *end_word(reading *r, size_t end)
{
    if (!r->in_word)
        return NULL;
    pw_str word = { r->text.ptr + r->word, end - r->word };
    r->in_word = false;
    char first = word.ptr[0];
    if (first == '\'')
        return "Invalid string literal; expected \", but got '";
    if (first == 't' || first == 'f' || (first == 'n' && word.len > 1 && word.ptr[1] == 'u')) {
        if (!pw_str_is(word, "true") && !pw_str_is(word, "false") && !pw_str_is(word, "null"))
            return "Invalid literal";
    } else if (!is_number(word)) {
        return "Invalid numeric literal";
    }
    return hold(r, HELD_OTHER);
}

static const char *close_level(reading *r, char c)
{
    level *top = innermost(r);
    if (c == ']') {
        if (!top || top->object)
            return "Unmatched ']'";
        if (r->held == HELD_NONE && top->filled)
            return "Expected another array element";
    } else if (r->held != HELD_NONE) {
        if (!top || !top->key)
            return top ? "Objects must consist of key:value pairs" : "Unmatched '}'";
    } else {
        if (!top || !top->object || top->key)
            return "Unmatched '}'";
        if (top->filled)
            return "Expected another key-value pair";
    }
    r->depth--;
    r->held = HELD_OTHER;
    return NULL;
}

static const char *open_level(pw_expr_machine *m, reading *r, char c)
{
    if (r->depth >= PW_JSON_DEPTH_MAX)
        return "Exceeds depth limit for parsing";
    if (r->held != HELD_NONE)
        return "Expected separator between values";
    if (r->depth == r->size) {
        size_t size = r->size ? 2 * r->size : 32;
        r->levels =
            pw_arena_grow(m->arena, r->levels, r->size * sizeof(level), size * sizeof(level));
        r->size = size;
    }
    r->levels[r->depth++] = (level){ .object = c == '{' };
    return NULL;
}

static const char *punctuation(pw_expr_machine *m, reading *r, char c)
{
    level *top = innermost(r);
    switch (c) {
    case '[':
    case '{':
        return open_level(m, r, c);
    case ']':
    case '}':
        return close_level(r, c);
    case ':':
        if (r->held == HELD_NONE)
            return "Expected string key before ':'";
        if (!top || !top->object || top->key)
            return "':' not as part of an object";
        if (r->held != HELD_STRING)
            return "Object keys must be strings";
        top->key = true;
        break;
    default: /* a comma */
        if (r->held == HELD_NONE)
            return "Expected value before ','";
        if (top && top->object && !top->key)
            return "Objects must consist of key:value pairs";
        if (top)
            top->filled = true, top->key = false;
        break;
    }
    r->held = HELD_NONE;
    return NULL;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The first thing wrong between two quotes. */
static const char *inside_string(pw_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] < 0x20)
            return "Invalid string: control characters from U+0000 through U+001F must be escaped";
        if (s.ptr[i] != '\\')
            continue;
        char c = ++i < s.len ? s.ptr[i] : '\0';
        if (c != 'u') {
            if (!c || !strchr("\"\\/bfnrt", c))
                return "Invalid escape";
            continue;
        }
        if (s.len - i < 5)
            return "Invalid \\uXXXX escape";
        for (size_t k = 1; k <= 4; k++)
            if (!is_hex(s.ptr[i + k]))
                return "Invalid characters in \\uXXXX escape";
        i += 4;
    }
    return "Invalid \\uXXXX\\uXXXX surrogate pair escape"; /* if anything is wrong, then this */
}

/* From behind the opening quote; gives the place of the closing one, or the end. */
static size_t string_end(pw_str text, size_t i)
{
    while (i < text.len && text.ptr[i] != '"')
        i += text.ptr[i] == '\\' ? 2 : 1;
    return i < text.len ? i : text.len;
}

/* Whether the string from its opening to its closing quote is one. */
static bool is_string(pw_expr_machine *m, pw_str quoted)
{
    pw_value v;
    pawl_error ignored;
    pw_json_limits limits = { .bytes = quoted.len };
    return pw_json_parse(&v, quoted, &limits, m->arena, &ignored) == PAWL_OK;
}

/* One more byte, or a whole string; *at: behind it. */
static const char *read_on(pw_expr_machine *m, reading *r, size_t *at, bool *unfinished)
{
    char c = r->text.ptr[(*at)++];
    bool space = c == ' ' || c == '\t' || c == '\r' || c == '\n';
    if (!space && c != '"' && (c == '\0' || !strchr("[]{}:,", c))) {
        r->word = r->in_word ? r->word : *at - 1;
        r->in_word = true;
        return NULL;
    }
    const char *wrong = end_word(r, *at - 1);
    if (!wrong && r->depth == 0 && r->held != HELD_NONE) {
        r->values++;
        r->held = HELD_NONE;
    }
    if (wrong || space || r->values > 1)
        return wrong;
    if (c != '"')
        return punctuation(m, r, c);
    size_t start = *at, end = string_end(r->text, start);
    *unfinished = end == r->text.len;
    *at = *unfinished ? end : end + 1;
    if (*unfinished)
        return "Unfinished string";
    if (!is_string(m, (pw_str){ r->text.ptr + start - 1, end + 2 - start }))
        return inside_string((pw_str){ r->text.ptr + start, end - start });
    return hold(r, HELD_STRING);
}

static void place_of(pw_str text, size_t end, unsigned *line, unsigned *column)
{
    *line = 1;
    *column = 0;
    for (size_t i = 0; i < end; i++) {
        *column = text.ptr[i] == '\n' ? 0 : *column + 1;
        *line += text.ptr[i] == '\n';
    }
}

pw_value pw_expr_complain_json(pw_expr_machine *m, pw_str text, const char *otherwise)
{
    reading r = { .text = text };
    const char *wrong = NULL;
    bool at_end = false;
    size_t at = 0;
    pw_expr_charge_bytes(m, 2 * text.len);
    while (!wrong && r.values < 2 && at < text.len) {
        wrong = read_on(m, &r, &at, &at_end);
        if (!wrong && r.depth == 0 && r.held != HELD_NONE) {
            r.values++;
            r.held = HELD_NONE;
        }
    }
    if (!wrong && r.values < 2) {
        at_end = true;
        wrong = end_word(&r, text.len);
        r.values += r.depth == 0 && r.held != HELD_NONE;
        if (!wrong && r.depth > 0)
            wrong = "Unfinished JSON term";
    }
    char words[200];
    unsigned line, column;
    place_of(text, at, &line, &column);
    if (wrong)
        (void)snprintf(words, sizeof words, "%s at %sline %u, column %u", wrong,
                       at_end ? "EOF at " : "", line, column);
    else
        (void)snprintf(words, sizeof words, "%s",
                       r.values > 1    ? "Unexpected extra JSON values"
                       : r.values == 0 ? "Expected JSON value"
                                       : otherwise);
    enum { SHOWN = 100 };
    size_t shown = text.len;
    if (shown > SHOWN)
        for (shown = SHOWN; shown > 0 && ((unsigned char)text.ptr[shown] & 0xc0) == 0x80;)
            shown--; /* never half a character */
    return pw_expr_throw(m, "%s (while parsing '%.*s%s')", words, (int)shown, text.ptr,
                         shown < text.len ? "..." : "");
}
