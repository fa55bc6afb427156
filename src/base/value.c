/* value.c - making, reading and changing values.
 *
 * An object is one block: its members in insertion order, then, if there are more than a few, their
 * positions sorted by key. The index is part of construction, so that an object never changes and
 * threads can share it; it is sorted, not hashed, so that it is the same in every run and serves
 * sorted output and comparison as well. */
#include <math.h>

#include "base/value_internal.h"

static const char *const type_names[] = {
    [PW_NONE] = "none",     [PW_NULL] = "null",     [PW_FALSE] = "boolean", [PW_TRUE] = "boolean",
    [PW_NUMBER] = "number", [PW_STRING] = "string", [PW_ARRAY] = "array",   [PW_OBJECT] = "object",
};

const char *pw_type_name(pw_value v)
{
    PW_ASSERT(v.type < PW_LENGTH(type_names));
    return type_names[v.type];
}

static pw_value none(void)
{
    return (pw_value){ .type = PW_NONE };
}

/* More than a value can count is more than memory: the same failure. */
static pw_value too_large(pw_arena *arena)
{
    (void)pw_arena_fail(arena, false);
    return none();
}

/* ---- strings and arrays */

pw_value pw_string_ref(pw_str s)
{
    PW_ASSERT(s.len <= UINT32_MAX);
    return (pw_value){ .type = PW_STRING, .count = (uint32_t)s.len, .as.text = s.len ? s.ptr : "" };
}

pw_value pw_string(pw_arena *arena, pw_str s)
{
    if (s.len > UINT32_MAX)
        return too_large(arena);
    pw_str copy = pw_arena_str(arena, s);
    return copy.ptr ? pw_string_ref(copy) : none();
}

pw_value pw_array_ref(const pw_value *items, size_t count)
{
    PW_ASSERT(count <= UINT32_MAX);
    return (
        pw_value){ .type = PW_ARRAY, .count = (uint32_t)count, .as.items = count ? items : NULL };
}

pw_value pw_array(pw_arena *arena, const pw_value *items, size_t count)
{
    if (count > UINT32_MAX)
        return too_large(arena);
    if (count == 0)
        return pw_array_ref(NULL, 0);
    pw_value *copy = pw_arena_alloc(arena, count * sizeof *copy);
    if (!copy)
        return none();
    memcpy(copy, items, count * sizeof *copy);
    return pw_array_ref(copy, count);
}

/* A builder that ran out of memory has this size and collects nothing more. */
#define BUILDER_FAILED SIZE_MAX

void pw_array_add(pw_array_builder *builder, pw_value item)
{
    if (builder->size == BUILDER_FAILED)
        return;
    if (builder->count == builder->size) {
        size_t size = builder->size ? builder->size * 2 : 8;
        pw_value *items = pw_arena_grow(builder->arena, builder->items,
                                        builder->size * sizeof *items, size * sizeof *items);
        if (!items) {
            *builder = (pw_array_builder){ .arena = builder->arena, .size = BUILDER_FAILED };
            return;
        }
        builder->items = items;
        builder->size = size;
    }
    if (item.type == PW_NONE) {
        *builder = (pw_array_builder){ .arena = builder->arena, .size = BUILDER_FAILED };
        return;
    }
    builder->items[builder->count++] = item;
}

pw_value pw_array_end(pw_array_builder *builder)
{
    pw_array_builder all = *builder;
    *builder = (pw_array_builder){ .arena = all.arena };
    if (all.size == BUILDER_FAILED)
        return none();
    if (all.count > UINT32_MAX)
        return too_large(all.arena);
    if (all.count == 0)
        return pw_array_ref(NULL, 0);
    (void)pw_arena_grow(all.arena, all.items, all.size * sizeof *all.items,
                        all.count * sizeof *all.items); /* gives the rest back */
    return pw_array_ref(all.items, all.count);
}

/* ---- the index of an object */

static int compare_at(const pw_member *members, uint32_t a, uint32_t b)
{
    return pw_str_cmp(members[a].key, members[b].key);
}

/* Insertion sort of order[from..to), stable. */
static void sort_run(uint32_t *order, size_t from, size_t to, const pw_member *members)
{
    for (size_t i = from + 1; i < to; i++) {
        uint32_t moving = order[i];
        size_t at = i;
        for (; at > from && compare_at(members, order[at - 1], moving) > 0; at--)
            order[at] = order[at - 1];
        order[at] = moving;
    }
}

static void merge_runs(uint32_t *to, const uint32_t *from, size_t start, size_t middle, size_t end,
                       const pw_member *members)
{
    size_t left = start, right = middle;
    for (size_t at = start; at < end; at++) {
        bool take_left =
            right == end || (left < middle && compare_at(members, from[left], from[right]) <= 0);
        to[at] = from[take_left ? left++ : right++];
    }
}

/* Stable merge sort of positions by key; `scratch` is as long as `order`. */
static void sort_order(uint32_t *order, uint32_t *scratch, size_t count, const pw_member *members)
{
    enum { RUN = 8 };
    bool sorted = true;
    for (size_t i = 1; i < count && sorted; i++)
        sorted = compare_at(members, order[i - 1], order[i]) <= 0;
    if (sorted)
        return;
    for (size_t start = 0; start < count; start += RUN)
        sort_run(order, start, start + RUN < count ? start + RUN : count, members);
    uint32_t *from = order, *to = scratch;
    for (size_t width = RUN; width < count; width *= 2) {
        for (size_t start = 0; start < count; start += 2 * width) {
            size_t middle = start + width < count ? start + width : count;
            size_t end = start + 2 * width < count ? start + 2 * width : count;
            merge_runs(to, from, start, middle, end, members);
        }
        uint32_t *other = from;
        from = to;
        to = other;
    }
    if (from != order)
        memcpy(order, from, count * sizeof *order);
}

/* In sorted order equal keys are neighbours, the earlier first: the first takes the value of the
 * last, the others are marked dead. Returns how many live. */
static size_t resolve_equal_keys(pw_member *members, const uint32_t *order, size_t count)
{
    size_t living = 0;
    for (size_t i = 0, end = 0; i < count; i = end, living++) {
        for (end = i + 1; end < count && pw_str_eq(members[order[i]].key, members[order[end]].key);)
            end++;
        members[order[i]].value = members[order[end - 1]].value;
        for (size_t dead = i + 1; dead < end; dead++)
            members[order[dead]].value.type = PW_NONE;
    }
    return living;
}

/* Closes the gaps of dead members; `moved` is scratch of the same length. */
static void remove_dead(pw_member *members, uint32_t *order, uint32_t *moved, size_t count)
{
    uint32_t place = 0;
    for (size_t i = 0; i < count; i++) {
        bool dead = members[i].value.type == PW_NONE;
        moved[i] = dead ? UINT32_MAX : place;
        if (!dead)
            members[place++] = members[i];
    }
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (moved[order[i]] != UINT32_MAX)
            order[at++] = moved[order[i]];
    }
}

pw_object *pw_object_room(pw_arena *arena, size_t count)
{
    if (count >= UINT32_MAX)
        return pw_arena_fail(arena, false);
    size_t index = count > PW_OBJECT_SMALL ? count * sizeof(uint32_t) : 0;
    pw_object *object =
        pw_arena_alloc(arena, sizeof *object + count * sizeof object->members[0] + index);
    if (object)
        object->order = NULL;
    return object;
}

static pw_value object_value(const pw_object *object, size_t count)
{
    return (pw_value){ .type = PW_OBJECT, .count = (uint32_t)count, .as.object = object };
}

static pw_value finish_small(pw_object *object, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        pw_member member = object->members[i];
        size_t at = 0;
        while (at < kept && !pw_str_eq(object->members[at].key, member.key))
            at++;
        if (at == kept)
            object->members[kept++] = member;
        else
            object->members[at].value = member.value;
    }
    return object_value(object, kept);
}

pw_value pw_object_finish(pw_arena *arena, pw_object *object, size_t count)
{
    size_t room = count, kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (object->members[i].value.type != PW_NONE)
            object->members[kept++] = object->members[i];
    }
    count = kept;
    if (count <= PW_OBJECT_SMALL)
        return finish_small(object, count);
    uint32_t *order = (uint32_t *)(void *)(object->members + room);
    pw_arena_mark mark = pw_arena_at(arena);
    uint32_t *scratch = pw_arena_alloc(arena, count * sizeof *scratch);
    if (!scratch)
        return none();
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    sort_order(order, scratch, count, object->members);
    size_t living = resolve_equal_keys(object->members, order, count);
    if (living < count)
        remove_dead(object->members, order, scratch, count);
    pw_arena_rewind(arena, mark);
    object->order = living > PW_OBJECT_SMALL ? order : NULL;
    return object_value(object, living);
}

pw_value pw_object_of(pw_arena *arena, const pw_member *members, size_t count)
{
    pw_object *object = pw_object_room(arena, count);
    if (!object)
        return none();
    if (count)
        memcpy(object->members, members, count * sizeof *members);
    return pw_object_finish(arena, object, count);
}

void pw_object_add(pw_object_builder *builder, pw_str key, pw_value value)
{
    if (builder->size == BUILDER_FAILED || value.type == PW_NONE)
        return;
    if (builder->count == builder->size) {
        size_t size = builder->size ? builder->size * 2 : 8;
        pw_member *members = pw_arena_grow(builder->arena, builder->members,
                                           builder->size * sizeof *members, size * sizeof *members);
        if (!members) {
            *builder = (pw_object_builder){ .arena = builder->arena, .size = BUILDER_FAILED };
            return;
        }
        builder->members = members;
        builder->size = size;
    }
    builder->members[builder->count++] = (pw_member){ key, value };
}

pw_value pw_object_end(pw_object_builder *builder)
{
    pw_object_builder all = *builder;
    *builder = (pw_object_builder){ .arena = all.arena };
    if (all.size == BUILDER_FAILED)
        return none();
    return pw_object_of(all.arena, all.members, all.count);
}

/* ---- reading */

/* The place of a key in a sorted index: the first whose key is not below it. */
static size_t index_place(const pw_object *object, size_t count, pw_str key)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pw_str_cmp(object->members[object->order[middle]].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

#define ABSENT SIZE_MAX

static size_t find(pw_value v, pw_str key)
{
    if (v.type != PW_OBJECT)
        return ABSENT;
    const pw_object *object = v.as.object;
    if (object->order) {
        size_t place = index_place(object, v.count, key);
        if (place == v.count || !pw_str_eq(object->members[object->order[place]].key, key))
            return ABSENT;
        return object->order[place];
    }
    for (size_t i = 0; i < v.count; i++) {
        if (pw_str_eq(object->members[i].key, key))
            return i;
    }
    return ABSENT;
}

pw_value pw_item(pw_value array, size_t at)
{
    return array.type == PW_ARRAY && at < array.count ? array.as.items[at] : none();
}

pw_value pw_get(pw_value object, pw_str key)
{
    size_t at = find(object, key);
    return at == ABSENT ? none() : object.as.object->members[at].value;
}

pw_value pw_get_lit(pw_value object, const char *key)
{
    return pw_get(object, pw_str_of(key));
}

pw_str pw_get_text(pw_value object, const char *key)
{
    return pw_text(pw_get_lit(object, key));
}

const pw_member *pw_members(pw_value object)
{
    return object.type == PW_OBJECT && object.count ? object.as.object->members : NULL;
}

void pw_object_order_small(pw_value v, uint8_t order[PW_OBJECT_SMALL])
{
    PW_ASSERT(v.type == PW_OBJECT && v.count <= PW_OBJECT_SMALL);
    for (uint8_t i = 0; i < v.count; i++) {
        size_t at = i;
        for (; at > 0 && compare_at(v.as.object->members, order[at - 1], i) > 0; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

const pw_member **pw_members_sorted(pw_value object, pw_arena *arena)
{
    if (object.type != PW_OBJECT)
        return NULL;
    const pw_member **sorted = pw_arena_alloc(arena, object.count * sizeof *sorted);
    if (!sorted)
        return NULL;
    uint8_t small[PW_OBJECT_SMALL];
    const uint32_t *order = object.as.object->order;
    if (!order)
        pw_object_order_small(object, small);
    for (size_t i = 0; i < object.count; i++)
        sorted[i] = &object.as.object->members[order ? order[i] : small[i]];
    return sorted;
}

/* ---- changing */

/* The object with room for one more member at its end. */
static pw_value with_added(pw_arena *arena, pw_value v, pw_str key, pw_value value)
{
    pw_str own = pw_arena_str(arena, key);
    pw_object *object = own.ptr ? pw_object_room(arena, (size_t)v.count + 1) : NULL;
    if (!object)
        return none();
    if (v.count)
        memcpy(object->members, v.as.object->members, v.count * sizeof object->members[0]);
    object->members[v.count] = (pw_member){ own, value };
    if (v.count < PW_OBJECT_SMALL)
        return object_value(object, (size_t)v.count + 1);
    if (v.count == PW_OBJECT_SMALL)
        return pw_object_finish(arena, object, (size_t)v.count + 1);
    uint32_t *order = (uint32_t *)(void *)(object->members + v.count + 1);
    const uint32_t *old = v.as.object->order;
    size_t place = index_place(v.as.object, v.count, key);
    memcpy(order, old, place * sizeof *order);
    order[place] = v.count;
    memcpy(order + place + 1, old + place, (v.count - place) * sizeof *order);
    object->order = order;
    return object_value(object, (size_t)v.count + 1);
}

pw_value pw_with(pw_arena *arena, pw_value v, pw_str key, pw_value value)
{
    if (v.type != PW_OBJECT)
        v = pw_object_of(arena, NULL, 0);
    if (v.type == PW_NONE || value.type == PW_NONE)
        return v;
    size_t at = find(v, key);
    if (at == ABSENT)
        return with_added(arena, v, key, value);
    pw_object *object = pw_object_room(arena, v.count);
    if (!object)
        return none();
    memcpy(object->members, v.as.object->members, v.count * sizeof object->members[0]);
    object->members[at].value = value;
    if (v.as.object->order) {
        uint32_t *order = (uint32_t *)(void *)(object->members + v.count);
        memcpy(order, v.as.object->order, v.count * sizeof *order);
        object->order = order;
    }
    return object_value(object, v.count);
}

pw_value pw_without(pw_arena *arena, pw_value v, pw_str key)
{
    size_t at = find(v, key);
    if (at == ABSENT)
        return v;
    size_t count = (size_t)v.count - 1;
    pw_object *object = pw_object_room(arena, count);
    if (!object)
        return none();
    const pw_object *old = v.as.object;
    memcpy(object->members, old->members, at * sizeof old->members[0]);
    memcpy(object->members + at, old->members + at + 1, (count - at) * sizeof old->members[0]);
    if (count > PW_OBJECT_SMALL) {
        uint32_t *order = (uint32_t *)(void *)(object->members + count);
        size_t place = 0;
        for (size_t i = 0; i < v.count; i++) {
            if (old->order[i] != at)
                order[place++] = old->order[i] > at ? old->order[i] - 1 : old->order[i];
        }
        object->order = order;
    }
    return object_value(object, count);
}
