/* json_parse.c - JSON text to a value, in one pass without recursion.
 *
 * UTF-8 is checked once for the whole text, and the text is copied once into the arena: strings,
 * keys and literals of numbers are parts of that copy, escapes resolved in place, a NUL in the
 * place of the closing quote. Values of containers that are still open wait on one stack, their
 * keys on another; when a container closes, its part of the stacks becomes one block in the arena.
 * Nothing of `text` is kept. */
#include <endian.h>
#include <stdio.h>

#include "base/json.h"
#include "base/value_internal.h"

enum { DEFAULT_BYTES = 64 << 20, FIRST_VALUES = 64 };

/* A growing array of equal parts. */
typedef struct pile {
    char *parts;
    size_t count, size;
} pile;

typedef struct open_container {
    bool object;
    size_t first; /* of its values on the pile; its keys are as many, on top of theirs */
} open_container;

typedef struct parser {
    const char *text;       /* as it was given, for messages */
    char *start, *at, *end; /* the copy */
    pw_arena *arena;
    pawl_error *err;
    uint32_t depth_max;
    pile values, keys, open; /* pw_value, pw_str, open_container */
    size_t piled;            /* bytes of the three: they count against the arena's limit */
} parser;

static bool pile_grow(parser *p, pile *to, size_t part_size)
{
    size_t more = (to->size ? to->size : FIRST_VALUES) * part_size;
    size_t limit = p->arena->limit, used = p->arena->used + p->piled;
    if (limit && (used > limit || more > limit - used)) {
        (void)pw_arena_fail(p->arena, true);
        return false;
    }
    char *larger = pw_realloc(to->parts, to->size * part_size + more);
    if (!larger)
        return false;
    to->parts = larger;
    to->size += more / part_size;
    p->piled += more;
    return true;
}

static inline void *pile_push(parser *p, pile *to, size_t part_size)
{
    if (to->count == to->size && !pile_grow(p, to, part_size))
        return NULL;
    return to->parts + to->count++ * part_size;
}

/* ---- errors */

static pawl_code fail_at_byte(parser *p, size_t at, const char *what)
{
    size_t line = 1, column = 1;
    for (const char *c = p->text; c < p->text + at; c++) {
        if (*c == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)*c & 0xC0) != 0x80) { /* characters, not bytes */
            column++;
        }
    }
    return pw_fail(p->err, PAWL_INVALID, "JSON line %zu, column %zu: %s", line, column, what);
}

static pawl_code fail_at(parser *p, const char *at, const char *what)
{
    return fail_at_byte(p, (size_t)(at - p->start), what);
}

/* "expected X, found Y" at the present place. */
static pawl_code fail_expected(parser *p, const char *expected)
{
    char what[128];
    unsigned char c = p->at < p->end ? (unsigned char)*p->at : 0;
    if (p->at == p->end)
        (void)snprintf(what, sizeof what, "expected %s, found the end", expected);
    else if (c > ' ' && c < 0x7F)
        (void)snprintf(what, sizeof what, "expected %s, found '%c'", expected, c);
    else
        (void)snprintf(what, sizeof what, "expected %s, found the byte 0x%02X", expected, c);
    return fail_at(p, p->at, what);
}

/* ---- strings */

/* The first of eight bytes that is a quote, a backslash or a control character; 8: none is. The
 * usual trick to find a zero byte, on the bytes xor the wanted one, and a borrow below 0x20: it may
 * see one too many in a byte above a hit, never below the first. */
static size_t first_special(const char *eight)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones * 0x80;
    uint64_t word;
    memcpy(&word, eight, sizeof word);
    word = le64toh(word);
    uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
    uint64_t found = (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                      ((word - ones * 0x20) & ~word)) &
                     highs;
    return found ? (size_t)__builtin_ctzll(found) / 8 : 8;
}

/* The first special character at or behind `at`, or the end. */
static inline char *scan_plain(char *at, char *end)
{
    while (end - at >= 8) {
        size_t plain = first_special(at);
        at += plain;
        if (plain < 8)
            return at;
    }
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20)
        at++;
    return at;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four hexadecimal digits at `at`; -1: they are not there. */
static int32_t read_unit(const parser *p, const char *at)
{
    int32_t unit = 0;
    if (p->end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(at[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* p->at is behind "\u". */
static pawl_code read_unicode(parser *p, char **to)
{
    const char *escape = p->at - 2;
    int32_t unit = read_unit(p, p->at);
    if (unit < 0)
        return fail_at(p, escape, "\\u must be followed by four hexadecimal digits");
    p->at += 4;
    if (unit >= 0xDC00 && unit <= 0xDFFF)
        return fail_at(p, escape, "the second half of a surrogate pair stands alone");
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        int32_t second = p->end - p->at >= 6 && p->at[0] == '\\' && p->at[1] == 'u'
                             ? read_unit(p, p->at + 2)
                             : -1;
        if (second < 0xDC00 || second > 0xDFFF)
            return fail_at(p, escape, "the first half of a surrogate pair stands alone");
        p->at += 6;
        unit = 0x10000 + ((unit - 0xD800) << 10) + (second - 0xDC00);
    }
    *to += pw_utf8_put(*to, (uint32_t)unit);
    return PAWL_OK;
}

static char simple_escape(char c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/':
        return c;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return '\0';
    }
}

/* p->at is at the backslash. An escape is never shorter than what it stands for. */
static pawl_code read_escape(parser *p, char **to)
{
    if (p->end - p->at >= 2 && p->at[1] == 'u') {
        p->at += 2;
        return read_unicode(p, to);
    }
    char c = p->end - p->at >= 2 ? simple_escape(p->at[1]) : '\0';
    if (c == '\0')
        return fail_at(p, p->at,
                       "unknown escape; known are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
    *(*to)++ = c;
    p->at += 2;
    return PAWL_OK;
}

static pawl_code fail_in_string(parser *p, const char *opening)
{
    if (p->at == p->end)
        return fail_at(p, opening, "the string that begins here does not end");
    char what[80];
    (void)snprintf(what, sizeof what, "a control character in a string must be written \\u%04x",
                   (unsigned)(unsigned char)*p->at);
    return fail_at(p, p->at, what);
}

/* The rest of a string from its first escape on: what is behind an escape moves down. */
static pawl_code read_escaped(parser *p, const char *opening, char **end)
{
    char *to = p->at;
    while (p->at < p->end && *p->at != '"') {
        if (*p->at == '\\') {
            pawl_code code = read_escape(p, &to);
            if (code != PAWL_OK)
                return code;
        }
        char *stop = scan_plain(p->at, p->end);
        memmove(to, p->at, (size_t)(stop - p->at));
        to += stop - p->at;
        p->at = stop;
        if (stop < p->end && (unsigned char)*stop < 0x20)
            return fail_in_string(p, opening);
    }
    *end = to;
    return p->at < p->end ? PAWL_OK : fail_in_string(p, opening);
}

/* p->at is at the opening quote. */
static pawl_code read_string(parser *p, pw_str *out)
{
    const char *opening = p->at++, *first = p->at;
    char *end = p->at = scan_plain(p->at, p->end);
    if (p->at < p->end && *p->at == '\\') {
        pawl_code code = read_escaped(p, opening, &end);
        if (code != PAWL_OK)
            return code;
    } else if (p->at == p->end || *p->at != '"') {
        return fail_in_string(p, opening);
    }
    p->at++;
    *end = '\0';
    *out = (pw_str){ first, (size_t)(end - first) };
    return PAWL_OK;
}

/* ---- other scalars */

static pawl_code read_number(parser *p, pw_value *out)
{
    bool is_integer = false;
    pw_str rest = { p->at, (size_t)(p->end - p->at) };
    size_t len = pw_number_scan(rest, &is_integer);
    if (len == 0)
        return fail_at(p, p->at, "a number is written like -12, 0.5 or 1e10");
    *out = pw_number_from((pw_str){ p->at, len }, is_integer);
    p->at += len;
    return PAWL_OK;
}

static pawl_code read_word(parser *p, const char *word, pw_value value, pw_value *out)
{
    size_t len = strlen(word);
    if ((size_t)(p->end - p->at) < len || memcmp(p->at, word, len) != 0)
        return fail_expected(p, "a value (a word can only be true, false or null)");
    p->at += len;
    *out = value;
    return PAWL_OK;
}

static pawl_code read_scalar(parser *p, pw_value *out)
{
    switch (p->at < p->end ? *p->at : '\0') {
    case '"': {
        pw_str text;
        pawl_code code = read_string(p, &text);
        if (code == PAWL_OK)
            *out = pw_string_ref(text);
        return code;
    }
    case 't':
        return read_word(p, "true", pw_bool(true), out);
    case 'f':
        return read_word(p, "false", pw_bool(false), out);
    case 'n':
        return read_word(p, "null", pw_null(), out);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return read_number(p, out);
    default:
        return fail_expected(p, "a value");
    }
}

/* ---- containers */

static void skip_space(parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
        p->at++;
}

static open_container *innermost(parser *p)
{
    open_container *open = (open_container *)(void *)p->open.parts;
    return p->open.count ? &open[p->open.count - 1] : NULL;
}

static pawl_code open_one(parser *p, bool object)
{
    if (p->open.count == p->depth_max) {
        char what[96];
        (void)snprintf(what, sizeof what, "nested deeper than the limit of %u levels (depth)",
                       p->depth_max);
        return fail_at(p, p->at, what);
    }
    open_container *open = pile_push(p, &p->open, sizeof *open);
    if (!open)
        return pw_no_memory(p->err);
    *open = (open_container){ .object = object, .first = p->values.count };
    p->at++;
    return PAWL_OK;
}

/* Makes the innermost container of what waits for it. */
static pawl_code close_one(parser *p, pw_value *out)
{
    const open_container *top = innermost(p);
    PW_ASSERT(top != NULL);
    open_container open = *top;
    size_t count = p->values.count - open.first;
    const pw_value *values = (const pw_value *)(void *)p->values.parts;
    if (count)
        values += open.first;
    p->at++;
    p->open.count--;
    p->values.count = open.first;
    if (!open.object) {
        *out = pw_array(p->arena, values, count);
        return out->type != PW_NONE ? PAWL_OK : pw_no_memory(p->err);
    }
    pw_object *object = pw_object_room(p->arena, count);
    if (!object)
        return pw_no_memory(p->err);
    p->keys.count -= count;
    const pw_str *keys = (const pw_str *)(void *)p->keys.parts;
    for (size_t i = 0; i < count; i++)
        object->members[i] = (pw_member){ keys[p->keys.count + i], values[i] };
    *out = pw_object_finish(p->arena, object, count);
    return out->type != PW_NONE ? PAWL_OK : pw_no_memory(p->err);
}

/* A key and its colon. */
static pawl_code read_key(parser *p)
{
    skip_space(p);
    if (p->at == p->end || *p->at != '"')
        return fail_expected(p, "a key in quotes");
    pw_str key;
    pawl_code code = read_string(p, &key);
    if (code != PAWL_OK)
        return code;
    pw_str *waiting = pile_push(p, &p->keys, sizeof *waiting);
    if (!waiting)
        return pw_no_memory(p->err);
    *waiting = key;
    skip_space(p);
    if (p->at == p->end || *p->at != ':')
        return fail_expected(p, "':' behind the key");
    p->at++;
    return PAWL_OK;
}

/* Opens containers down to the first value that is complete: a scalar, or an empty container. */
static pawl_code read_down(parser *p, pw_value *out)
{
    for (;;) {
        skip_space(p);
        bool object = p->at < p->end && *p->at == '{';
        if (p->at == p->end || (*p->at != '[' && !object))
            return read_scalar(p, out);
        pawl_code code = open_one(p, object);
        if (code != PAWL_OK)
            return code;
        skip_space(p);
        if (p->at < p->end && *p->at == (object ? '}' : ']'))
            return close_one(p, out);
        if (object && (code = read_key(p)) != PAWL_OK)
            return code;
    }
}

static pawl_code parse(parser *p, pw_value *out)
{
    pawl_code code = read_down(p, out);
    open_container *open = NULL;
    while (code == PAWL_OK && (open = innermost(p)) != NULL) {
        pw_value *waiting = pile_push(p, &p->values, sizeof *waiting);
        if (!waiting)
            return pw_no_memory(p->err);
        *waiting = *out;
        skip_space(p);
        char c = p->at < p->end ? *p->at : '\0';
        if (c == ',') {
            p->at++;
            code = open->object ? read_key(p) : PAWL_OK;
            if (code == PAWL_OK)
                code = read_down(p, out);
        } else if (c == (open->object ? '}' : ']')) {
            code = close_one(p, out);
        } else {
            return fail_expected(p, open->object ? "',' or '}'" : "',' or ']'");
        }
    }
    if (code != PAWL_OK)
        return code;
    skip_space(p);
    return p->at == p->end ? PAWL_OK : fail_expected(p, "nothing more behind the value");
}

static pawl_code check_text(parser *p, pw_str text, size_t bytes_max)
{
    if (text.len > bytes_max)
        return pw_fail(p->err, PAWL_INVALID,
                       "JSON of %zu bytes is larger than the limit of %zu bytes", text.len,
                       bytes_max);
    if (text.len >= 3 && memcmp(text.ptr, "\xEF\xBB\xBF", 3) == 0)
        return fail_at_byte(p, 0, "the text must not begin with a byte order mark");
    size_t valid = pw_utf8_valid_length(text);
    if (valid == text.len)
        return PAWL_OK;
    char what[64];
    (void)snprintf(what, sizeof what, "the byte 0x%02X is not valid UTF-8 here",
                   (unsigned)(unsigned char)text.ptr[valid]);
    return fail_at_byte(p, valid, what);
}

static pawl_code copy_text(parser *p, pw_str text)
{
    p->start = p->at = (char *)(uintptr_t)pw_arena_str(p->arena, text).ptr;
    if (!p->start)
        return pw_no_memory(p->err);
    p->end = p->start + text.len;
    return PAWL_OK;
}

pawl_code pw_json_parse(pw_value *out, pw_str text, const pw_json_limits *limits, pw_arena *arena,
                        pawl_error *err)
{
    size_t bytes_max = limits && limits->bytes ? limits->bytes : DEFAULT_BYTES;
    if (bytes_max > UINT32_MAX)
        bytes_max = UINT32_MAX; /* what a value can count */
    parser p = { .text = text.len ? text.ptr : "",
                 .arena = arena,
                 .err = err,
                 .depth_max = limits && limits->depth ? limits->depth : PW_JSON_DEPTH_MAX };
    pw_value value = { .type = PW_NONE };
    jmp_buf *guard = pw_arena_guard(arena, NULL); /* a jump would lose the piles */
    pawl_code code = check_text(&p, text, bytes_max);
    if (code == PAWL_OK)
        code = copy_text(&p, text);
    if (code == PAWL_OK)
        code = parse(&p, &value);
    (void)pw_arena_guard(arena, guard);
    pw_free(p.values.parts);
    pw_free(p.keys.parts);
    pw_free(p.open.parts);
    if (code == PAWL_OK)
        *out = value;
    return code;
}
