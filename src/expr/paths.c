/* paths.c - reading and changing values at a key, and at a path of keys.
 *
 * A key is a string, a number, or for slices an object {"start", "end"}. A change copies the
 * containers on the path and shares the rest; inside an assignment, containers that were copied for
 * the path before are changed in place, so that `.[] += 1` costs the array once. */
#include "expr/vm_internal.h"

#include <math.h>

static pw_value none(void)
{
    return (pw_value){ .type = PW_NONE };
}

static pw_value bad_index(pw_expr_machine *m, pw_value v, pw_value key)
{
    char text[PW_DUMP_SIZE];
    if (pw_is(key, PW_NULL))
        return pw_expr_throw(m, "Cannot index %s with null", pw_type_name(v));
    return pw_expr_throw(m, "Cannot index %s with %s (%s)", pw_type_name(v), pw_type_name(key),
                         pw_expr_dump(m, key, text));
}

/* Rounded down; out of range becomes the nearest end. */
static int64_t whole(double d)
{
    d = floor(d);
    return d > 4e18 ? INT64_MAX / 2 : d < -4e18 ? INT64_MIN / 2 : (int64_t)d;
}

typedef struct bounds {
    size_t from, to;
} bounds;

/* The part of `length` items that a slice means; NULL bounds are the ends, NaN too. */
static bool slice_bounds(bounds *out, pw_value from, pw_value to, size_t length)
{
    if ((!pw_is(from, PW_NULL) && !pw_is(from, PW_NUMBER)) ||
        (!pw_is(to, PW_NULL) && !pw_is(to, PW_NUMBER)))
        return false;
    double n = (double)length;
    double start = pw_is(from, PW_NULL) ? 0 : pw_number(from);
    double end = pw_is(to, PW_NULL) ? n : pw_number(to);
    if (isnan(start))
        start = 0;
    if (isnan(end))
        end = n;
    if (start < 0)
        start += n;
    if (end < 0)
        end += n;
    start = start < 0 ? 0 : start > n ? n : floor(start);
    end = end > n ? n : end < start ? start : ceil(end);
    out->from = (size_t)start;
    out->to = (size_t)(end < start ? start : end);
    return true;
}

/* Byte offset of the code point `at`. */
static size_t offset_of(pw_str s, size_t at)
{
    size_t i = 0;
    while (at-- > 0 && i < s.len)
        (void)pw_utf8_next(s, &i);
    return i;
}

static pw_value slice_text(pw_expr_machine *m, pw_value v, pw_value from, pw_value to)
{
    pw_str s = pw_text(v);
    bounds b;
    pw_expr_charge_bytes(m, s.len);
    if (!slice_bounds(&b, from, to, pw_utf8_count(s)))
        return none();
    size_t start = offset_of(s, b.from);
    pw_str rest = { s.ptr + start, s.len - start };
    return pw_string_ref((pw_str){ rest.ptr, offset_of(rest, b.to - b.from) });
}

pw_value pw_expr_slice(pw_expr_machine *m, pw_value v, pw_value from, pw_value to)
{
    if (pw_is(v, PW_NULL))
        return v;
    if (!pw_is(v, PW_ARRAY) && !pw_is(v, PW_STRING))
        return pw_expr_throw(m, "Cannot index %s with object", pw_type_name(v));
    if (pw_is(v, PW_STRING)) {
        pw_value part = slice_text(m, v, from, to);
        if (!pw_is(part, PW_NONE))
            return part;
    } else {
        bounds b;
        if (slice_bounds(&b, from, to, v.count))
            return b.from == b.to ? pw_array_ref(NULL, 0)
                                  : pw_array_ref(v.as.items + b.from, b.to - b.from);
    }
    return pw_expr_throw(m, "Start and end indices of an array slice must be numbers");
}

static pw_value bound(pw_value key, const char *name)
{
    pw_value v = pw_get_lit(key, name);
    return pw_is(v, PW_NONE) ? pw_null() : v;
}

static bool same(pw_expr_machine *m, pw_value a, pw_value b)
{
    return pw_expr_order(m, a, b, "Equality check") == 0;
}

/* Where the array `part` begins in `v`. */
static pw_value positions(pw_expr_machine *m, pw_value v, pw_value part)
{
    pw_value found = pw_array_ref(NULL, 0);
    for (uint32_t i = 0; part.count > 0 && i + part.count <= v.count; i++) {
        uint32_t k = 0;
        while (k < part.count && same(m, v.as.items[i + k], part.as.items[k]))
            k++;
        if (k == part.count)
            pw_expr_grow_array(m, &found, pw_int(i));
    }
    found.reserved = 0;
    return part.count == 0 ? pw_null() : found;
}

pw_value pw_expr_index(pw_expr_machine *m, pw_value v, pw_value key)
{
    if (pw_is(key, PW_STRING) && pw_is(v, PW_OBJECT)) {
        pw_value found = pw_get(v, pw_text(key));
        return pw_is(found, PW_NONE) ? pw_null() : found;
    }
    if (pw_is(key, PW_NUMBER) && pw_is(v, PW_ARRAY)) {
        double d = pw_number(key);
        if (isnan(d))
            return pw_null();
        int64_t at = key.form == PW_FORM_INT ? key.as.integer : whole(d);
        if (at < 0)
            at += v.count;
        return at >= 0 && at < (int64_t)v.count ? v.as.items[at] : pw_null();
    }
    if (pw_is(key, PW_OBJECT) && (pw_is(v, PW_ARRAY) || pw_is(v, PW_STRING) || pw_is(v, PW_NULL)))
        return pw_expr_slice(m, v, bound(key, "start"), bound(key, "end"));
    if (pw_is(key, PW_ARRAY) && pw_is(v, PW_ARRAY))
        return positions(m, v, key);
    if (pw_is(v, PW_NULL) &&
        (pw_is(key, PW_STRING) || pw_is(key, PW_NUMBER) || pw_is(key, PW_NULL)))
        return v;
    return bad_index(m, v, key);
}

/* ---- changing at a key */

/* A copy of the items with room for `count`, or the items themselves when they are held alone. */
static pw_value *own_items(pw_expr_machine *m, pw_value v, size_t count, const void **owned)
{
    if (owned && *owned && *owned == v.as.items && count <= v.count)
        return (pw_value *)(uintptr_t)v.as.items;
    pw_expr_charge(m, count);
    pw_value *items = PW_NEW_ARRAY(m->arena, pw_value, count);
    if (v.count > 0)
        memcpy(items, v.as.items, (v.count < count ? v.count : count) * sizeof *items);
    if (owned)
        *owned = items;
    return items;
}

static pw_value set_item(pw_expr_machine *m, pw_value v, pw_value key, pw_value item,
                         const void **owned)
{
    double d = pw_number(key);
    if (isnan(d))
        return pw_expr_throw(m, "Cannot set array element at NaN index");
    size_t length = pw_is(v, PW_ARRAY) ? v.count : 0;
    int64_t at = whole(d);
    if (at < 0)
        at += (int64_t)length;
    if (at < 0)
        return pw_expr_throw(m, "Out of bounds negative array index");
    if (at > 536870910) /* as jq: the largest array it makes */
        return pw_expr_throw(m, "Array index too large");
    if ((size_t)at == length && length > 0) /* the usual way to grow */
        return pw_expr_append_items(m, v, &item, 1);
    size_t count = (size_t)at < length ? length : (size_t)at + 1;
    if (count * sizeof(pw_value) > m->limits.memory)
        pw_expr_stop(m, PW_STOP_MEMORY);
    pw_value from = pw_is(v, PW_ARRAY) ? v : pw_array_ref(NULL, 0);
    pw_value *items = own_items(m, from, count, owned);
    for (size_t i = length; i < count; i++)
        items[i] = pw_null();
    items[at] = item;
    return pw_array_ref(items, count);
}

static pw_value set_member(pw_expr_machine *m, pw_value v, pw_str key, pw_value value,
                           const void **owned)
{
    bool alone = false;
    if (pw_is(v, PW_OBJECT) && owned && *owned && *owned == (const void *)v.as.object) {
        if (pw_replace_alone(v, key, value))
            return v;
        alone = true;
    }
    pw_value changed = pw_expr_with(m, v, key, value);
    /* What grew in place shares its members with v, which somebody else may have. */
    bool in_place = pw_is(v, PW_OBJECT) && changed.as.object == v.as.object;
    if (owned)
        *owned = alone || !in_place ? changed.as.object : NULL;
    return changed;
}

static pw_value set_slice(pw_expr_machine *m, pw_value v, pw_value key, pw_value part)
{
    if (pw_is(v, PW_STRING))
        return pw_expr_throw(m, "Cannot update string slices");
    if (!pw_is(v, PW_ARRAY) && !pw_is(v, PW_NULL))
        return pw_expr_throw(m, "Cannot update field at object index of %s", pw_type_name(v));
    if (!pw_is(part, PW_ARRAY))
        return pw_expr_throw(m, "A slice of an array can only be assigned another array");
    bounds b;
    size_t length = pw_is(v, PW_ARRAY) ? v.count : 0;
    if (!slice_bounds(&b, bound(key, "start"), bound(key, "end"), length))
        return pw_expr_throw(m, "Start and end indices of an array slice must be numbers");
    size_t count = b.from + part.count + (length - b.to);
    pw_expr_charge(m, count);
    pw_value *items = PW_NEW_ARRAY(m->arena, pw_value, count + 1);
    if (b.from > 0)
        memcpy(items, v.as.items, b.from * sizeof *items);
    if (part.count > 0)
        memcpy(items + b.from, part.as.items, part.count * sizeof *items);
    if (length > b.to)
        memcpy(items + b.from + part.count, v.as.items + b.to, (length - b.to) * sizeof *items);
    return pw_array_ref(items, count);
}

static pw_value set_key(pw_expr_machine *m, pw_value v, pw_value key, pw_value leaf,
                        const void **owned)
{
    bool null = pw_is(v, PW_NULL);
    if (pw_is(key, PW_STRING) && (pw_is(v, PW_OBJECT) || null))
        return set_member(m, v, pw_text(key), leaf, owned);
    if (pw_is(key, PW_NUMBER) && (pw_is(v, PW_ARRAY) || null))
        return set_item(m, v, key, leaf, owned);
    if (pw_is(key, PW_OBJECT) && (pw_is(v, PW_ARRAY) || pw_is(v, PW_STRING) || null))
        return set_slice(m, v, key, leaf);
    if (pw_is(key, PW_ARRAY) && pw_is(v, PW_ARRAY))
        return pw_expr_throw(m, "Cannot update field at array index of array");
    return bad_index(m, v, key);
}

/* ---- paths */

static bool check_path(pw_expr_machine *m, pw_value path)
{
    if (!pw_is(path, PW_ARRAY)) {
        (void)pw_expr_throw(m, "Path must be specified as an array");
        return false;
    }
    if (path.count > PW_JSON_DEPTH_MAX) {
        (void)pw_expr_throw(m, "Path too deep");
        return false;
    }
    pw_expr_charge(m, path.count);
    for (uint32_t i = 0; i < path.count; i++)
        pw_expr_charge_key(m, path.as.items[i]);
    return true;
}

pw_value pw_expr_getpath(pw_expr_machine *m, pw_value v, pw_value path)
{
    if (!check_path(m, path))
        return none();
    for (uint32_t i = 0; i < path.count && !pw_is(v, PW_NULL) && !pw_is(v, PW_NONE); i++)
        v = pw_expr_index(m, v, path.as.items[i]);
    return v;
}

void pw_expr_disown(pw_expr_machine *m, uint32_t depth)
{
    for (uint32_t d = depth; m->run < PW_RUNS && d < PW_OWNED_DEPTH; d++)
        m->owned[m->run][d] = NULL;
}

pw_value pw_expr_setpath(pw_expr_machine *m, pw_value v, pw_value path, pw_value leaf, bool own)
{
    if (!check_path(m, path))
        return none();
    leaf.reserved = 0;
    pw_value local[16], *containers = local;
    if (path.count > PW_LENGTH(local))
        containers = PW_NEW_ARRAY(m->arena, pw_value, path.count);
    for (uint32_t d = 0; d < path.count; d++) {
        containers[d] = v;
        if (d + 1 == path.count)
            break;
        if (pw_is(path.as.items[d], PW_ARRAY) && pw_is(v, PW_ARRAY))
            return pw_expr_throw(m, "Cannot update field at array index of array");
        v = pw_expr_index(m, v, path.as.items[d]);
        if (pw_is(v, PW_NONE))
            return v;
    }
    for (uint32_t d = path.count; d-- > 0;) {
        const void **owned =
            own && m->run < PW_RUNS && d < PW_OWNED_DEPTH ? &m->owned[m->run][d] : NULL;
        leaf = set_key(m, containers[d], path.as.items[d], leaf, owned);
        if (pw_is(leaf, PW_NONE))
            return leaf;
    }
    return leaf;
}

/* ---- deleting */

/* What to leave out of one array: sorted ranges. */
static pw_value without_items(pw_expr_machine *m, pw_value v, bounds cut)
{
    size_t count = v.count - (cut.to - cut.from);
    pw_expr_charge(m, v.count);
    pw_value *items = PW_NEW_ARRAY(m->arena, pw_value, count + 1);
    if (cut.from > 0)
        memcpy(items, v.as.items, cut.from * sizeof *items);
    if (v.count > cut.to)
        memcpy(items + cut.from, v.as.items + cut.to, (v.count - cut.to) * sizeof *items);
    return pw_array_ref(items, count);
}

static pw_value delete_key(pw_expr_machine *m, pw_value v, pw_value key)
{
    bounds cut;
    if (pw_is(v, PW_NULL))
        return v;
    if (pw_is(v, PW_OBJECT) && pw_is(key, PW_STRING)) {
        pw_expr_charge(m, v.count);
        return pw_without(m->arena, v, pw_text(key));
    }
    if (pw_is(v, PW_ARRAY) && pw_is(key, PW_NUMBER)) {
        double d = pw_number(key);
        int64_t at = isnan(d) ? -1 : whole(d);
        if (at < 0 && !isnan(d))
            at += v.count;
        if (at < 0 || at >= (int64_t)v.count)
            return v;
        return without_items(m, v, (bounds){ (size_t)at, (size_t)at + 1 });
    }
    if (pw_is(v, PW_ARRAY) && pw_is(key, PW_OBJECT)) {
        if (!slice_bounds(&cut, bound(key, "start"), bound(key, "end"), v.count))
            return pw_expr_throw(m, "Start and end indices of an array slice must be numbers");
        return without_items(m, v, cut);
    }
    if (pw_is(v, PW_OBJECT))
        return pw_expr_throw(m, "Cannot delete %s field of object", pw_type_name(key));
    if (pw_is(v, PW_ARRAY))
        return pw_expr_throw(m, "Cannot delete %s element of array", pw_type_name(key));
    return pw_expr_throw(m, "Cannot delete fields from %s", pw_type_name(v));
}

static pw_value delete_path(pw_expr_machine *m, pw_value v, pw_value path)
{
    if (path.count == 0)
        return pw_null();
    pw_value parent_path = pw_array_ref(path.as.items, path.count - 1);
    pw_value parent = pw_expr_getpath(m, v, parent_path);
    if (pw_is(parent, PW_NONE) || pw_is(parent, PW_NULL))
        return pw_is(parent, PW_NONE) ? parent : v;
    pw_value changed = delete_key(m, parent, path.as.items[path.count - 1]);
    if (pw_is(changed, PW_NONE))
        return changed;
    if (changed.as.items == parent.as.items && changed.count == parent.count)
        return v;
    return path.count == 1 ? changed : pw_expr_setpath(m, v, parent_path, changed, false);
}

/* Several items and slices of one array at once; all are counted in the array as it was. */
static pw_value delete_items(pw_expr_machine *m, pw_value v, const pw_value *paths, size_t count)
{
    pw_value parent_path = pw_array_ref(paths[0].as.items, paths[0].count - 1);
    pw_value parent = pw_expr_getpath(m, v, parent_path);
    if (!pw_is(parent, PW_ARRAY)) {
        for (size_t i = count; i-- > 0 && !pw_is(v, PW_NONE);)
            v = delete_path(m, v, paths[i]);
        return v;
    }
    pw_expr_charge(m, parent.count + count);
    bool *drop = PW_NEW_ARRAY(m->arena, bool, (size_t)parent.count + 1);
    for (size_t i = 0; i < count; i++) {
        pw_value key = paths[i].as.items[paths[i].count - 1];
        bounds cut;
        if (pw_is(key, PW_OBJECT)) {
            if (!slice_bounds(&cut, bound(key, "start"), bound(key, "end"), parent.count))
                return pw_expr_throw(m, "Start and end indices of an array slice must be numbers");
            pw_expr_charge(m, cut.to - cut.from);
            memset(drop + cut.from, true, cut.to - cut.from);
            continue;
        }
        double d = pw_number(key);
        int64_t at = isnan(d) ? INT64_MIN : whole(d);
        if (at < 0 && !isnan(d))
            at += parent.count;
        if (at >= 0 && at < (int64_t)parent.count)
            drop[at] = true;
    }
    pw_value *items = PW_NEW_ARRAY(m->arena, pw_value, (size_t)parent.count + 1);
    size_t kept = 0;
    for (uint32_t i = 0; i < parent.count; i++)
        if (!drop[i])
            items[kept++] = parent.as.items[i];
    pw_value changed = pw_array_ref(items, kept);
    return parent_path.count == 0 ? changed : pw_expr_setpath(m, v, parent_path, changed, false);
}

static bool ends_in_array(pw_value path)
{
    pw_value key = path.count > 0 ? path.as.items[path.count - 1] : pw_null();
    return pw_is(key, PW_NUMBER) || pw_is(key, PW_OBJECT);
}

static bool siblings(pw_expr_machine *m, pw_value a, pw_value b)
{
    if (a.count != b.count || !ends_in_array(a) || !ends_in_array(b))
        return false;
    for (uint32_t i = 0; i + 1 < a.count; i++)
        if (!same(m, a.as.items[i], b.as.items[i]))
            return false;
    return true;
}

pw_value pw_expr_delpaths(pw_expr_machine *m, pw_value v, pw_value paths)
{
    if (!pw_is(paths, PW_ARRAY))
        return pw_expr_throw(m, "Paths must be specified as an array");
    for (uint32_t i = 0; i < paths.count; i++)
        if (!check_path(m, paths.as.items[i]))
            return none();
    pw_value sorted = pw_expr_sorted(m, paths);
    if (pw_is(sorted, PW_NONE))
        return sorted;
    /* From the last to the first, so that a deletion moves nothing that is still to be deleted. */
    size_t to = sorted.count;
    while (to > 0) {
        size_t from = to - 1;
        while (from > 0 && siblings(m, sorted.as.items[from - 1], sorted.as.items[to - 1]))
            from--;
        if (to - from > 1)
            v = delete_items(m, v, sorted.as.items + from, to - from);
        else
            v = delete_path(m, v, sorted.as.items[from]);
        if (pw_is(v, PW_NONE))
            return v;
        to = from;
    }
    return v;
}
