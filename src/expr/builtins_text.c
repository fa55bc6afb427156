/* builtins_text.c - functions about strings; positions and lengths are in code points. */
#include "expr/builtins_internal.h"

#include <math.h>

static const pw_value none = { .type = PW_NONE };

/* ---- splitting and cutting */

pw_value pw_expr_split(pw_expr_machine *m, pw_str s, pw_str separator)
{
    pw_value parts = pw_array_ref(NULL, 0);
    pw_expr_charge_bytes(m, s.len);
    if (s.len == 0)
        return parts;
    size_t start = 0;
    while (separator.len == 0 && start < s.len) { /* into characters */
        size_t end = start;
        (void)pw_utf8_next(s, &end);
        pw_expr_charge(m, 1);
        pw_expr_grow_array(m, &parts, pw_string_ref((pw_str){ s.ptr + start, end - start }));
        start = end;
    }
    while (separator.len > 0) {
        const char *found = memmem(s.ptr + start, s.len - start, separator.ptr, separator.len);
        size_t end = found ? (size_t)(found - s.ptr) : s.len;
        pw_expr_charge(m, 1);
        pw_expr_grow_array(m, &parts, pw_string_ref((pw_str){ s.ptr + start, end - start }));
        if (!found)
            break;
        start = end + separator.len;
    }
    parts.reserved = 0;
    return parts;
}

pw_value pw_builtin_split(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    if (!pw_is(in, PW_STRING) || !pw_is(args[0], PW_STRING))
        return pw_expr_throw(m, "split input and separator must be strings");
    return pw_expr_split(m, pw_text(in), pw_text(args[0]));
}

static bool starts(pw_str s, pw_str with)
{
    return s.len >= with.len && (with.len == 0 || memcmp(s.ptr, with.ptr, with.len) == 0);
}

static bool ends(pw_str s, pw_str with)
{
    return s.len >= with.len &&
           (with.len == 0 || memcmp(s.ptr + s.len - with.len, with.ptr, with.len) == 0);
}

static bool strings(pw_expr_machine *m, pw_value in, pw_value arg, const char *what)
{
    pw_expr_charge_bytes(m, arg.count);
    if (pw_is(in, PW_STRING) && pw_is(arg, PW_STRING))
        return true;
    (void)pw_expr_throw(m, "%s() requires string inputs", what);
    return false;
}

pw_value pw_builtin_startswith(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    return strings(m, in, args[0], "startswith") ? pw_bool(starts(pw_text(in), pw_text(args[0])))
                                                 : none;
}

pw_value pw_builtin_endswith(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    return strings(m, in, args[0], "endswith") ? pw_bool(ends(pw_text(in), pw_text(args[0])))
                                               : none;
}

pw_value pw_builtin_ltrimstr(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    if (!strings(m, in, args[0], "startswith"))
        return none;
    pw_str s = pw_text(in), cut = pw_text(args[0]);
    return starts(s, cut) ? pw_string_ref((pw_str){ s.ptr + cut.len, s.len - cut.len }) : in;
}

pw_value pw_builtin_rtrimstr(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    if (!strings(m, in, args[0], "endswith"))
        return none;
    pw_str s = pw_text(in), cut = pw_text(args[0]);
    return ends(s, cut) ? pw_string_ref((pw_str){ s.ptr, s.len - cut.len }) : in;
}

pw_value pw_builtin_trimstr(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    pw_value left = pw_builtin_ltrimstr(m, in, args);
    return pw_is(left, PW_NONE) ? left : pw_builtin_rtrimstr(m, left, args);
}

/* Unicode's White_Space. */
static bool is_white(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

static pw_value trimmed(pw_expr_machine *m, pw_value in, bool left, bool right)
{
    if (!pw_is(in, PW_STRING))
        return pw_expr_throw(m, "trim input must be a string");
    pw_str s = pw_text(in);
    pw_expr_charge_bytes(m, s.len);
    size_t start = 0, end = 0, at = 0;
    bool text = false;
    while (at < s.len) {
        size_t next = at;
        if (!is_white(pw_utf8_next(s, &next))) {
            start = text ? start : at;
            end = next;
            text = true;
        }
        at = next;
    }
    if (!text)
        start = end = left ? s.len : 0;
    start = left ? start : 0;
    end = right ? end : s.len;
    return pw_string_ref((pw_str){ s.ptr + start, end - start });
}

pw_value pw_builtin_trim(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    return trimmed(m, in, true, true);
}

pw_value pw_builtin_ltrim(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    return trimmed(m, in, true, false);
}

pw_value pw_builtin_rtrim(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    return trimmed(m, in, false, true);
}

/* ---- characters */

pw_value pw_builtin_explode(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    if (!pw_is(in, PW_STRING))
        return pw_expr_throw(m, "explode input must be a string");
    pw_str s = pw_text(in);
    size_t count = pw_utf8_count(s), n = 0;
    pw_expr_charge(m, count);
    pw_value *points = PW_NEW_ARRAY(m->arena, pw_value, count + 1);
    for (size_t i = 0; i < s.len;)
        points[n++] = pw_int(pw_utf8_next(s, &i));
    return pw_array_ref(points, n);
}

pw_value pw_builtin_implode(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    char dump[PW_DUMP_SIZE];
    if (!pw_is(in, PW_ARRAY))
        return pw_expr_throw(m, "implode input must be an array");
    pw_expr_charge(m, in.count);
    char *text = pw_arena_alloc(m->arena, 4 * (size_t)in.count + 1);
    size_t n = 0;
    for (uint32_t i = 0; i < in.count; i++) {
        pw_value point = in.as.items[i];
        pw_expr_charge_number(m, point);
        double d = pw_is(point, PW_NUMBER) ? pw_number(point) : (double)NAN;
        if (isnan(d))
            return pw_expr_throw(m,
                                 "%s (%s) can't be imploded, unicode codepoint needs to be numeric",
                                 pw_type_name(point), pw_expr_dump(m, point, dump));
        uint32_t c = d < 0 || d > 0x10ffff ? 0xfffd : (uint32_t)d;
        n += pw_utf8_put(text + n, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
    }
    return pw_string_ref((pw_str){ text, n });
}

static pw_value cased(pw_expr_machine *m, pw_value in, const char *what, char from, int change)
{
    if (!pw_is(in, PW_STRING))
        return pw_expr_throw(m, "%s input must be a string", what);
    pw_str s = pw_text(in);
    pw_expr_charge_bytes(m, s.len);
    char *text = pw_arena_alloc(m->arena, s.len + 1);
    for (size_t i = 0; i < s.len; i++)
        text[i] = s.ptr[i] >= from && s.ptr[i] < from + 26 ? (char)(s.ptr[i] + change) : s.ptr[i];
    return pw_string_ref((pw_str){ text, s.len });
}

pw_value pw_builtin_ascii_downcase(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    return cased(m, in, "ascii_downcase", 'A', 'a' - 'A');
}

pw_value pw_builtin_ascii_upcase(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    return cased(m, in, "ascii_upcase", 'a', 'A' - 'a');
}

pw_value pw_builtin_ascii(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    double d = pw_is(in, PW_NUMBER) ? pw_number(in) : -1;
    if (!(d >= 0 && d < 128))
        return pw_expr_throw(m, "ascii input must be a number from 0 to 127");
    char *text = pw_arena_alloc(m->arena, 1);
    text[0] = (char)d;
    return pw_string_ref((pw_str){ text, 1 });
}

/* ---- searching */

pw_value pw_builtin_strindices(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    char text[PW_DUMP_SIZE];
    if (!pw_is(in, PW_STRING))
        return pw_expr_throw(m, "%s (%s) cannot be searched, as it is not a string",
                             pw_type_name(in), pw_expr_dump(m, in, text));
    if (!pw_is(args[0], PW_STRING))
        return pw_expr_throw(m, "%s (%s) is not a string", pw_type_name(args[0]),
                             pw_expr_dump(m, args[0], text));
    pw_str s = pw_text(in), part = pw_text(args[0]);
    pw_expr_charge_bytes(m, s.len);
    if (part.len == 0)
        return pw_null();
    pw_value found = pw_array_ref(NULL, 0);
    size_t at = 0, points = 0, counted = 0;
    while (s.len - at >= part.len) {
        const char *hit = memmem(s.ptr + at, s.len - at, part.ptr, part.len);
        if (!hit)
            break;
        size_t start = (size_t)(hit - s.ptr);
        points += pw_utf8_count((pw_str){ s.ptr + counted, start - counted });
        counted = start;
        pw_expr_charge(m, 1 + part.len / 16);
        pw_expr_grow_array(m, &found, pw_int((int64_t)points));
        at = start;
        (void)pw_utf8_next(s, &at); /* matches may overlap */
    }
    found.reserved = 0;
    return found;
}

static pw_value end_index(pw_expr_machine *m, pw_value in, const pw_value *args, bool last)
{
    pw_value all = pw_builtin_indices(m, in, args);
    if (!pw_is(all, PW_ARRAY) || all.count == 0)
        return pw_is(all, PW_NONE) ? all : pw_null();
    return all.as.items[last ? all.count - 1 : 0];
}

pw_value pw_builtin_index(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    return end_index(m, in, args, false);
}

pw_value pw_builtin_rindex(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    return end_index(m, in, args, true);
}
