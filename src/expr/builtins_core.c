/* builtins_core.c - functions about any value: type, size, keys, conversions, entries. */
#include <math.h>

#include "expr/builtins_internal.h"
#include "expr/syntax_internal.h"
#include "base/json.h"

static const pw_value none = { .type = PW_NONE };

static pw_value complain(pw_expr_machine *m, pw_value v, const char *what)
{
    char text[PW_DUMP_SIZE];
    return pw_expr_throw(m, "%s (%s) %s", pw_type_name(v), pw_expr_dump(m, v, text), what);
}

pw_value pw_builtin_error(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    return pw_expr_throw_value(m, in);
}

pw_value pw_builtin_error_with(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)in;
    return pw_expr_throw_value(m, args[0]);
}

pw_value pw_builtin_type(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)m, (void)args;
    return pw_string_ref(pw_str_of(pw_type_name(in)));
}

pw_value pw_builtin_length(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    switch ((pw_type)in.type) {
    case PW_NONE:
    case PW_NULL:
        return pw_int(0);
    case PW_FALSE:
    case PW_TRUE:
        return complain(m, in, "has no length");
    case PW_NUMBER:
        return pw_number(in) < 0 ? pw_expr_negate(m, in) : in;
    case PW_STRING:
        pw_expr_charge_bytes(m, in.count);
        return pw_int((int64_t)pw_utf8_count(pw_text(in)));
    case PW_ARRAY:
    case PW_OBJECT:
        return pw_int(in.count);
    }
    return none;
}

pw_value pw_builtin_utf8bytelength(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    if (!pw_is(in, PW_STRING))
        return complain(m, in, "only strings have UTF-8 byte length");
    return pw_int(in.count);
}

/* ---- keys */

static pw_value keys_of(pw_expr_machine *m, pw_value in, bool sorted)
{
    if (!pw_is(in, PW_ARRAY) && !pw_is(in, PW_OBJECT))
        return complain(m, in, "has no keys");
    pw_expr_charge(m, in.count);
    pw_value *keys = PW_NEW_ARRAY(m->arena, pw_value, (size_t)in.count + 1);
    for (uint32_t i = 0; pw_is(in, PW_OBJECT) && i < in.count; i++)
        pw_expr_charge_text(m, pw_members(in)[i].key.len);
    const pw_member **by_key =
        pw_is(in, PW_OBJECT) && sorted ? pw_members_sorted(in, m->arena) : NULL;
    for (uint32_t i = 0; i < in.count; i++)
        keys[i] = pw_is(in, PW_ARRAY) ? pw_int(i)
                  : by_key            ? pw_string_ref(by_key[i]->key)
                                      : pw_string_ref(pw_members(in)[i].key);
    return pw_array_ref(keys, in.count);
}

pw_value pw_builtin_keys(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    return keys_of(m, in, true);
}

pw_value pw_builtin_keys_unsorted(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    return keys_of(m, in, false);
}

pw_value pw_builtin_has(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    pw_expr_charge_key(m, args[0]);
    if (pw_is(in, PW_OBJECT) && pw_is(args[0], PW_STRING))
        return pw_bool(!pw_is(pw_get(in, pw_text(args[0])), PW_NONE));
    if (pw_is(in, PW_ARRAY) && pw_is(args[0], PW_NUMBER)) {
        double at = pw_number(args[0]);
        return pw_bool(at >= 0 && at < in.count);
    }
    return pw_expr_throw(m, "Cannot check whether %s has a %s key", pw_type_name(in),
                         pw_type_name(args[0]));
}

/* ---- contains: b is part of a, at every level */

typedef struct contain_frame {
    pw_value a, b;
    uint32_t at_b, at_a; /* of arrays: b's item at_b is being looked for from a's item at_a on */
} contain_frame;

static bool contains_text(pw_expr_machine *m, pw_str a, pw_str b)
{
    pw_expr_charge_bytes(m, a.len);
    return b.len == 0 || (a.len >= b.len && memmem(a.ptr, a.len, b.ptr, b.len) != NULL);
}

/* Of two values that are not both containers of the same kind. */
static int contains_here(pw_expr_machine *m, pw_value a, pw_value b)
{
    if (pw_is(a, PW_STRING) && pw_is(b, PW_STRING))
        return contains_text(m, pw_text(a), pw_text(b));
    return pw_expr_order(m, a, b, "Containment check") == 0;
}

static bool both(pw_value a, pw_value b, pw_type type)
{
    return pw_is(a, type) && pw_is(b, type);
}

pw_value pw_builtin_contains(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    pw_value a = in, b = args[0];
    char left[PW_DUMP_SIZE], right[PW_DUMP_SIZE];
    bool truth = pw_is(a, PW_TRUE) || pw_is(a, PW_FALSE);
    if (a.type != b.type && !(truth && (pw_is(b, PW_TRUE) || pw_is(b, PW_FALSE))))
        return pw_expr_throw(m, "%s (%s) and %s (%s) cannot have their containment checked",
                             pw_type_name(a), pw_expr_dump(m, a, left), pw_type_name(b),
                             pw_expr_dump(m, b, right));
    size_t size = 16, depth = 0;
    contain_frame *stack = pw_arena_alloc(m->arena, size * sizeof *stack);
    int result = -1; /* of the pair looked at last; below 0: look at (a, b) */
    for (;;) {
        if (result < 0) {
            pw_expr_charge(m, 1);
            if (!both(a, b, PW_ARRAY) && !both(a, b, PW_OBJECT)) {
                result = contains_here(m, a, b);
            } else {
                if (depth > PW_JSON_DEPTH_MAX)
                    return pw_expr_throw(m, "Containment check too deep");
                if (depth == size) {
                    stack = pw_arena_grow(m->arena, stack, size * sizeof *stack,
                                          2 * size * sizeof *stack);
                    size *= 2;
                }
                stack[depth++] = (contain_frame){ .a = a, .b = b };
                result = -2; /* nothing below has answered yet */
            }
        }
        while (depth > 0) {
            contain_frame *f = &stack[depth - 1];
            if (result >= 0) { /* the answer for the pair that this frame asked about */
                if (pw_is(f->a, PW_ARRAY) && result == 0) {
                    f->at_a++;
                } else if (result == 0) {
                    depth--;
                    continue;
                } else {
                    f->at_b++;
                    f->at_a = 0;
                }
            }
            if (f->at_b == f->b.count) {
                result = 1;
                depth--;
                continue;
            }
            if (pw_is(f->a, PW_ARRAY)) {
                if (f->at_a == f->a.count) {
                    result = 0;
                    depth--;
                    continue;
                }
                a = f->a.as.items[f->at_a];
                b = f->b.as.items[f->at_b];
            } else {
                const pw_member *member = &pw_members(f->b)[f->at_b];
                pw_expr_charge_text(m, member->key.len);
                a = pw_get(f->a, member->key);
                b = member->value;
                if (pw_is(a, PW_NONE)) {
                    result = 0;
                    depth--;
                    continue;
                }
            }
            result = -1;
            break;
        }
        if (depth == 0)
            return pw_bool(result == 1);
    }
}

/* ---- conversions */

pw_value pw_builtin_tostring(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    return pw_expr_tostring(m, in);
}

pw_value pw_builtin_tojson(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    return pw_expr_format(m, 1, in);
}

/* NaN in any case of letters, with a sign perhaps: jq reads it as a number. */
static bool is_nan_text(pw_str s)
{
    while (s.len > 0 && strchr(" \t\r\n", s.ptr[0]) && s.ptr[0])
        s.ptr++, s.len--;
    while (s.len > 0 && strchr(" \t\r\n", s.ptr[s.len - 1]) && s.ptr[s.len - 1])
        s.len--;
    if (s.len == 4 && s.ptr[0] == '-')
        s.ptr++, s.len--;
    return s.len == 3 && (pw_str_is(s, "nan") || pw_str_is(s, "NaN"));
}

pw_value pw_builtin_fromjson(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    char dump[PW_DUMP_SIZE];
    if (!pw_is(in, PW_STRING))
        return pw_expr_throw(m, "%s (%s) only strings can be parsed", pw_type_name(in),
                             pw_expr_dump(m, in, dump));
    pw_str text = pw_text(in);
    if (is_nan_text(text))
        return pw_expr_number(m, (double)NAN);
    pw_expr_charge_bytes(m, 4 * text.len);
    pw_value v;
    pawl_error err;
    pw_json_limits limits = { .bytes = m->limits.memory };
    pawl_code code = pw_json_parse(&v, text, &limits, m->arena, &err);
    if (code == PAWL_NO_MEMORY)
        (void)pw_arena_fail(m->arena, false); /* which knows whether it was the limit */
    if (code != PAWL_OK)
        return pw_expr_complain_json(m, text, err.message);
    return v;
}

/* [-+]digits[.digits][e[-+]digits], white space around it: what jq takes for a number. */
static bool is_number_text(pw_str s)
{
    size_t i = 0, digits = 0;
    if (i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+'))
        i++;
    for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++)
        digits++;
    if (i < s.len && s.ptr[i] == '.')
        for (i++; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++)
            digits++;
    if (digits > 0 && i < s.len && (s.ptr[i] == 'e' || s.ptr[i] == 'E')) {
        i++;
        if (i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+'))
            i++;
        if (i == s.len)
            return false;
        while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9')
            i++;
    }
    return digits > 0 && i == s.len;
}

pw_value pw_builtin_tonumber(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    if (pw_is(in, PW_NUMBER))
        return in;
    if (!pw_is(in, PW_STRING))
        return complain(m, in, "cannot be parsed as a number");
    pw_str s = pw_text(in);
    pw_expr_charge_bytes(m, s.len);
    if (s.len == 3 && pw_str_is(s, "nan"))
        return pw_expr_number(m, (double)NAN);
    if (!is_number_text(s))
        return complain(m, in, "cannot be parsed as a number");
    return pw_lex_number(m->arena, s);
}

pw_value pw_builtin_toboolean(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    if (pw_is(in, PW_TRUE) || pw_is(in, PW_FALSE))
        return in;
    if (pw_is(in, PW_STRING) && pw_str_is(pw_text(in), "true"))
        return pw_bool(true);
    if (pw_is(in, PW_STRING) && pw_str_is(pw_text(in), "false"))
        return pw_bool(false);
    return complain(m, in, "cannot be parsed as a boolean");
}

pw_value pw_builtin_format(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    char text[PW_DUMP_SIZE];
    int id = pw_is(args[0], PW_STRING) ? pw_expr_format_id(pw_text(args[0])) : -1;
    if (id < 0)
        return pw_expr_throw(m, "%s (%s) is not a valid format", pw_type_name(args[0]),
                             pw_expr_dump(m, args[0], text));
    return pw_expr_format(m, (unsigned)id, in);
}

/* ---- entries */

pw_value pw_builtin_to_entries(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    bool array = pw_is(in, PW_ARRAY);
    if (!array && !pw_is(in, PW_OBJECT))
        return complain(m, in, "has no keys");
    pw_expr_charge(m, in.count);
    pw_value *entries = PW_NEW_ARRAY(m->arena, pw_value, (size_t)in.count + 1);
    for (uint32_t i = 0; i < in.count; i++) {
        const pw_member *member = array ? NULL : &pw_members(in)[i];
        pw_member entry[] = { { PW_LIT("key"), array ? pw_int(i) : pw_string_ref(member->key) },
                              { PW_LIT("value"), array ? in.as.items[i] : member->value } };
        entries[i] = pw_object_of(m->arena, entry, 2);
    }
    return pw_array_ref(entries, in.count);
}

/* The first of these names that has neither null nor false. */
static pw_value key_of(pw_value entry)
{
    static const char *const names[] = { "key", "Key", "name", "Name" };
    pw_value key = pw_null();
    for (size_t i = 0; i < PW_LENGTH(names) && !pw_truthy(key); i++)
        key = pw_get_lit(entry, names[i]);
    return pw_is(key, PW_NONE) ? pw_null() : key;
}

static pw_value value_of(pw_value entry)
{
    pw_value value = pw_get_lit(entry, "value");
    if (pw_is(value, PW_NONE))
        value = pw_get_lit(entry, "Value");
    return pw_is(value, PW_NONE) ? pw_null() : value;
}

pw_value pw_builtin_from_entries(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    char text[PW_DUMP_SIZE];
    if (!pw_is(in, PW_ARRAY) && !pw_is(in, PW_OBJECT))
        return pw_expr_throw(m, "Cannot iterate over %s (%s)", pw_type_name(in),
                             pw_expr_dump(m, in, text));
    pw_expr_charge(m, in.count);
    pw_member *members = PW_NEW_ARRAY(m->arena, pw_member, (size_t)in.count + 1);
    for (uint32_t i = 0; i < in.count; i++) {
        pw_value entry = pw_is(in, PW_ARRAY) ? in.as.items[i] : pw_members(in)[i].value;
        if (!pw_is(entry, PW_OBJECT) && !pw_is(entry, PW_NULL))
            return pw_expr_throw(m, "Cannot index %s with string (\"key\")", pw_type_name(entry));
        pw_value key = key_of(entry);
        if (!pw_is(key, PW_STRING))
            return pw_expr_throw(m, "Cannot use %s (%s) as object key", pw_type_name(key),
                                 pw_expr_dump(m, key, text));
        members[i] = (pw_member){ pw_text(key), value_of(entry) };
    }
    return pw_expr_object(m, members, in.count);
}

/* ---- paths and the rest */

pw_value pw_builtin_setpath(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    return pw_expr_setpath(m, in, args[0], args[1], false);
}

pw_value pw_builtin_delpaths(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    return pw_expr_delpaths(m, in, args[0]);
}

pw_value pw_builtin_now(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)in, (void)args;
    return pw_expr_number(m, (double)m->input->now_ms / 1000.0);
}

pw_value pw_builtin_have_decnum(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)m, (void)in, (void)args;
    return pw_bool(false);
}

pw_value pw_builtin_have_literal_numbers(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)m, (void)in, (void)args;
    return pw_bool(true);
}

pw_value pw_builtin_builtins(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    return pw_builtin_names(m, in, args);
}
