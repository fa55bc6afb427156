/* builtins_array.c - functions about arrays: order, sums, search. */
#include "expr/builtins_internal.h"

#include <math.h>

static const pw_value none = { .type = PW_NONE };

static bool want_array(pw_expr_machine *m, pw_value v, const char *what)
{
    char text[PW_DUMP_SIZE];
    if (pw_is(v, PW_ARRAY))
        return true;
    (void)pw_expr_throw(m, "%s (%s) cannot be %s", pw_type_name(v), pw_expr_dump(m, v, text), what);
    return false;
}

/* ---- sorting: a stable merge sort of positions by key */

typedef struct sorting {
    pw_expr_machine *m;
    const pw_value *keys;
    bool thrown;
} sorting;

static bool not_after(sorting *s, uint32_t a, uint32_t b)
{
    int c = pw_expr_order(s->m, s->keys[a], s->keys[b], "Comparison");
    s->thrown |= c == PW_ORDER_BAD;
    return c <= 0;
}

static void merge(sorting *s, const uint32_t *from, uint32_t *to, size_t start, size_t middle,
                  size_t end)
{
    size_t a = start, b = middle;
    for (size_t i = start; i < end; i++) {
        if (a < middle && (b >= end || s->thrown || not_after(s, from[a], from[b])))
            to[i] = from[a++];
        else
            to[i] = from[b++];
    }
}

/* Positions of keys in their order; NULL: thrown. */
static uint32_t *order_of(pw_expr_machine *m, const pw_value *keys, size_t count)
{
    uint32_t *a = PW_NEW_ARRAY(m->arena, uint32_t, count + 1);
    uint32_t *b = PW_NEW_ARRAY(m->arena, uint32_t, count + 1);
    sorting s = { m, keys, false };
    pw_expr_charge(m, count);
    for (size_t i = 0; i < count; i++)
        a[i] = (uint32_t)i;
    for (size_t width = 1; width < count && !s.thrown; width *= 2) {
        for (size_t start = 0; start < count; start += 2 * width) {
            size_t middle = start + width < count ? start + width : count;
            size_t end = start + 2 * width < count ? start + 2 * width : count;
            merge(&s, a, b, start, middle, end);
        }
        uint32_t *swap = a;
        a = b;
        b = swap;
    }
    return s.thrown ? NULL : a;
}

static pw_value in_order(pw_expr_machine *m, pw_value array, pw_value keys)
{
    uint32_t *order = order_of(m, keys.as.items, keys.count);
    if (!order)
        return none;
    pw_value *items = PW_NEW_ARRAY(m->arena, pw_value, (size_t)array.count + 1);
    for (uint32_t i = 0; i < array.count; i++)
        items[i] = array.as.items[order[i]];
    return pw_array_ref(items, array.count);
}

pw_value pw_expr_sorted(pw_expr_machine *m, pw_value array)
{
    return in_order(m, array, array);
}

pw_value pw_builtin_sort(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    return want_array(m, in, "sorted, as it is not an array") ? pw_expr_sorted(m, in) : none;
}

/* `keys` has one key for each item of `in`, or of what else was iterated over; the prelude sees to
 * that. */
static bool keyed(pw_expr_machine *m, pw_value in, pw_value keys)
{
    char text[PW_DUMP_SIZE], key_text[PW_DUMP_SIZE];
    if (pw_is(in, PW_ARRAY) && pw_is(keys, PW_ARRAY) && keys.count == in.count)
        return true;
    (void)pw_expr_throw(m, "%s (%s) and %s (%s) cannot be sorted, as they are not both arrays",
                        pw_type_name(in), pw_expr_dump(m, in, text), pw_type_name(keys),
                        pw_expr_dump(m, keys, key_text));
    return false;
}

pw_value pw_builtin_sort_by(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    return keyed(m, in, args[0]) ? in_order(m, in, args[0]) : none;
}

/* Arrays of items with equal keys, in the order of the keys; or only the first of each. */
static pw_value grouped(pw_expr_machine *m, pw_value in, pw_value keys, bool only_first)
{
    uint32_t *order = order_of(m, keys.as.items, keys.count);
    if (!order)
        return none;
    pw_value groups = pw_array_ref(NULL, 0), group = groups;
    for (uint32_t i = 0; i < in.count; i++) {
        int c = i == 0 ? 1
                       : pw_expr_order(m, keys.as.items[order[i - 1]], keys.as.items[order[i]],
                                       "Comparison");
        if (c == PW_ORDER_BAD)
            return none;
        if (c != 0 && i > 0 && !only_first) {
            group.reserved = 0;
            pw_expr_grow_array(m, &groups, group);
            group = pw_array_ref(NULL, 0);
        }
        if (!only_first)
            pw_expr_grow_array(m, &group, in.as.items[order[i]]);
        else if (c != 0)
            pw_expr_grow_array(m, &groups, in.as.items[order[i]]);
    }
    if (!only_first && in.count > 0)
        pw_expr_grow_array(m, &groups, group);
    groups.reserved = 0;
    return groups;
}

pw_value pw_builtin_group_by(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    return keyed(m, in, args[0]) ? grouped(m, in, args[0], false) : none;
}

pw_value pw_builtin_unique_by(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    return keyed(m, in, args[0]) ? grouped(m, in, args[0], true) : none;
}

pw_value pw_builtin_unique(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    return want_array(m, in, "sorted, as it is not an array") ? grouped(m, in, in, true) : none;
}

/* The first least, or the last greatest, as jq chooses among equals. */
static pw_value extreme(pw_expr_machine *m, pw_value in, pw_value keys, bool greatest)
{
    char text[PW_DUMP_SIZE], key_text[PW_DUMP_SIZE];
    if (!pw_is(in, PW_ARRAY))
        return pw_expr_throw(m, "%s (%s) and %s (%s) cannot be iterated over", pw_type_name(in),
                             pw_expr_dump(m, in, text), pw_type_name(keys),
                             pw_expr_dump(m, keys, key_text));
    if (!pw_is(keys, PW_ARRAY) || keys.count != in.count)
        return pw_expr_throw(m, "keys and items differ in number");
    uint32_t best = 0;
    for (uint32_t i = 1; i < in.count; i++) {
        int c = pw_expr_order(m, keys.as.items[i], keys.as.items[best], "Comparison");
        if (c == PW_ORDER_BAD)
            return none;
        if (greatest ? c >= 0 : c < 0)
            best = i;
    }
    return in.count > 0 ? in.as.items[best] : pw_null();
}

pw_value pw_builtin_min(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    return extreme(m, in, in, false);
}

pw_value pw_builtin_max(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    return extreme(m, in, in, true);
}

pw_value pw_builtin_min_by(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    return extreme(m, in, args[0], false);
}

pw_value pw_builtin_max_by(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    return extreme(m, in, args[0], true);
}

/* ---- sums */

static uint32_t count_of(pw_value v)
{
    return pw_is(v, PW_ARRAY) || pw_is(v, PW_OBJECT) ? v.count : 0;
}

static pw_value item_of(pw_value v, uint32_t at)
{
    return pw_is(v, PW_ARRAY) ? v.as.items[at] : pw_members(v)[at].value;
}

static bool iterable(pw_expr_machine *m, pw_value v)
{
    char text[PW_DUMP_SIZE];
    if (pw_is(v, PW_ARRAY) || pw_is(v, PW_OBJECT))
        return true;
    (void)pw_expr_throw(m, "Cannot iterate over %s (%s)", pw_type_name(v),
                        pw_expr_dump(m, v, text));
    return false;
}

/* All objects from `from` on in one: adding them one by one would copy the sum each time. */
static pw_value add_objects(pw_expr_machine *m, pw_value sum, pw_value in, uint32_t from,
                            uint32_t to)
{
    size_t total = sum.count;
    for (uint32_t i = from; i < to; i++)
        total += item_of(in, i).count;
    pw_expr_charge(m, 2 * total);
    pw_member *members = PW_NEW_ARRAY(m->arena, pw_member, total + 1);
    size_t n = sum.count;
    if (n > 0)
        memcpy(members, pw_members(sum), n * sizeof *members);
    for (uint32_t i = from; i < to; i++) {
        pw_value item = item_of(in, i);
        if (item.count > 0)
            memcpy(members + n, pw_members(item), item.count * sizeof *members);
        n += item.count;
    }
    return pw_expr_object(m, members, n);
}

pw_value pw_builtin_add(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    if (!iterable(m, in))
        return none;
    pw_value sum = pw_null();
    for (uint32_t i = 0; i < count_of(in) && !pw_is(sum, PW_NONE); i++) {
        pw_expr_charge(m, 1);
        uint32_t to = i;
        while (pw_is(sum, PW_OBJECT) && to < in.count && pw_is(item_of(in, to), PW_OBJECT))
            to++;
        if (to > i + 1) {
            sum = add_objects(m, sum, in, i, to);
            i = to - 1;
        } else {
            sum = pw_expr_add(m, sum, item_of(in, i));
        }
    }
    return sum;
}

pw_value pw_builtin_any(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    if (!iterable(m, in))
        return none;
    for (uint32_t i = 0; i < count_of(in); i++)
        if (pw_truthy(item_of(in, i)))
            return pw_bool(true);
    pw_expr_charge(m, in.count);
    return pw_bool(false);
}

pw_value pw_builtin_all(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    if (!iterable(m, in))
        return none;
    for (uint32_t i = 0; i < count_of(in); i++)
        if (!pw_truthy(item_of(in, i)))
            return pw_bool(false);
    pw_expr_charge(m, in.count);
    return pw_bool(true);
}

pw_value pw_builtin_join(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    if (!iterable(m, in))
        return none;
    if (count_of(in) == 0)
        return pw_string_ref(PW_LIT(""));
    pw_value text = pw_string_ref(PW_LIT(""));
    for (uint32_t i = 0; i < count_of(in); i++) {
        pw_value item = item_of(in, i);
        pw_expr_charge(m, 1);
        if (i > 0)
            text = pw_expr_add(m, text, args[0]);
        if (pw_is(text, PW_NONE))
            return text;
        if (pw_is(item, PW_NULL))
            continue;
        if (!pw_is(item, PW_ARRAY) && !pw_is(item, PW_OBJECT))
            item = pw_expr_tostring(m, item);
        text = pw_expr_add(m, text, item);
        if (pw_is(text, PW_NONE))
            return text;
    }
    return text;
}

/* ---- shape */

pw_value pw_builtin_reverse(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    char dump[PW_DUMP_SIZE];
    if (pw_is(in, PW_NULL))
        return pw_array_ref(NULL, 0);
    if (pw_is(in, PW_STRING)) {
        pw_str s = pw_text(in);
        pw_expr_charge_bytes(m, s.len);
        char *out = pw_arena_alloc(m->arena, s.len + 1);
        for (size_t i = 0; i < s.len;) {
            size_t start = i;
            (void)pw_utf8_next(s, &i);
            memcpy(out + s.len - i, s.ptr + start, i - start);
        }
        return pw_string_ref((pw_str){ out, s.len });
    }
    if (!pw_is(in, PW_ARRAY)) { /* as if each of its `length` items were looked for */
        pw_value length = pw_builtin_length(m, in, NULL);
        if (pw_is(length, PW_NONE) || pw_number(length) <= 0)
            return pw_is(length, PW_NONE) ? none : pw_array_ref(NULL, 0);
        return pw_expr_throw(m, "Cannot index %s with number (%s)", pw_type_name(in),
                             pw_expr_dump(m, pw_expr_number(m, pw_number(length) - 1), dump));
    }
    pw_expr_charge(m, in.count);
    pw_value *items = PW_NEW_ARRAY(m->arena, pw_value, (size_t)in.count + 1);
    for (uint32_t i = 0; i < in.count; i++)
        items[i] = in.as.items[in.count - 1 - i];
    return pw_array_ref(items, in.count);
}

typedef struct flatten_frame {
    pw_value v;
    uint32_t at;
} flatten_frame;

static pw_value flatten(pw_expr_machine *m, pw_value in, double levels)
{
    if (levels < 0)
        return pw_expr_throw(m, "flatten depth must not be negative");
    if (!iterable(m, in))
        return none;
    size_t size = 16, depth = 1;
    flatten_frame *stack = pw_arena_alloc(m->arena, size * sizeof *stack);
    stack[0] = (flatten_frame){ in, 0 };
    pw_value out = pw_array_ref(NULL, 0);
    while (depth > 0) {
        flatten_frame *f = &stack[depth - 1];
        if (f->at == f->v.count) {
            depth--;
            continue;
        }
        pw_expr_charge(m, 1);
        pw_value item = item_of(f->v, f->at++);
        if (!pw_is(item, PW_ARRAY) || (double)depth > levels) {
            pw_expr_grow_array(m, &out, item);
            continue;
        }
        if (depth == size) {
            stack = pw_arena_grow(m->arena, stack, size * sizeof *stack, 2 * size * sizeof *stack);
            size *= 2;
        }
        stack[depth++] = (flatten_frame){ item, 0 };
    }
    out.reserved = 0;
    return out;
}

pw_value pw_builtin_flatten(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    return flatten(m, in, (double)INFINITY);
}

pw_value pw_builtin_flatten_to(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    if (!pw_is(args[0], PW_NUMBER))
        return pw_expr_throw(m, "flatten depth must not be negative");
    return flatten(m, in, pw_number(args[0]));
}

pw_value pw_builtin_transpose(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    char dump[PW_DUMP_SIZE];
    if (!iterable(m, in))
        return none;
    uint32_t width = 0;
    for (uint32_t i = 0; i < in.count; i++) {
        pw_value row = item_of(in, i);
        if (!pw_is(row, PW_ARRAY) && !pw_is(row, PW_NULL))
            return pw_expr_throw(m, "Cannot index %s with number (%s)", pw_type_name(row),
                                 pw_expr_dump(m, pw_int(0), dump));
        width = row.count > width && pw_is(row, PW_ARRAY) ? row.count : width;
    }
    pw_expr_charge(m, (uint64_t)width * in.count);
    pw_value *columns = PW_NEW_ARRAY(m->arena, pw_value, (size_t)width + 1);
    for (uint32_t c = 0; c < width; c++) {
        pw_value *items = PW_NEW_ARRAY(m->arena, pw_value, (size_t)in.count + 1);
        for (uint32_t i = 0; i < in.count; i++) {
            pw_value item = pw_item(item_of(in, i), c);
            items[i] = pw_is(item, PW_NONE) ? pw_null() : item;
        }
        columns[c] = pw_array_ref(items, in.count);
    }
    return pw_array_ref(columns, width);
}

pw_value pw_builtin_toarray(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    return pw_is(in, PW_ARRAY) ? in : pw_array(m->arena, &in, 1);
}

/* ---- looking up */

pw_value pw_builtin_bsearch(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    char text[PW_DUMP_SIZE];
    if (!pw_is(in, PW_ARRAY))
        return pw_expr_throw(m, "%s (%s) cannot be searched from", pw_type_name(in),
                             pw_expr_dump(m, in, text));
    int64_t low = 0, high = (int64_t)in.count - 1;
    while (low <= high) {
        int64_t middle = low + (high - low) / 2;
        int c = pw_expr_order(m, in.as.items[middle], args[0], "Comparison");
        if (c == PW_ORDER_BAD)
            return none;
        if (c == 0)
            return pw_int(middle);
        if (c < 0)
            low = middle + 1;
        else
            high = middle - 1;
    }
    return pw_int(-1 - low);
}

pw_value pw_builtin_indices(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    if (pw_is(in, PW_NULL))
        return in;
    if (pw_is(in, PW_STRING) && pw_is(args[0], PW_STRING))
        return pw_builtin_strindices(m, in, args);
    if (pw_is(in, PW_ARRAY) && !pw_is(args[0], PW_ARRAY)) {
        pw_value one = pw_array(m->arena, args, 1);
        return pw_expr_index(m, in, one);
    }
    return pw_expr_index(m, in, args[0]);
}
