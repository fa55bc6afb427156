/* value.c - making, reading and changing values.
 *
 * An object is one block: its members in insertion order, then, if there are more than a few, their
 * positions sorted by key. The index is part of construction, so that an object never changes and
 * threads can share it; it is sorted, not hashed, so that it is the same in every run and serves
 * sorted output and comparison as well.
 *
 * An object that grows (pw_with_growing) has room behind its members, and the block is shared by
 * all versions of it: each value counts the members that it has, and never sees those behind. Why
 * no version can tell:
 * - A member is added only to the newest version, whose count is the block's `total`. Members that
 *   some version counts are not written again; pw_replace_alone, which does, is for who has all
 *   versions to itself. An addition to an older version copies.
 * - Keys of a block are all different. So the one index of all its members serves each version: a
 *   key is found at one position, which the version counts or does not.
 * - A version has more than half of the members that there is room for (the room is chosen when
 *   the oldest is made), so skipping younger members costs a walk by key no more than its share.
 * - Only the owner adds, and an owner is a number that nobody has twice: an evaluation takes one
 * and drops it before it gives out a value. From then on the block is as constant as any other, and
 *   other threads may read it. A block of another arena is another owner's, since an owner writes
 *   in one arena only; so are the constants of a program.
 * - Rewinding an arena takes from it what was made since a mark. A block younger than the mark goes
 *   as a whole. A block that is older stays, and with it every key and value it lists, if they are
 *   older too: they are, unless the block grew between mark and rewind. That is what the rule in
 *   value.h excludes: the owner that could have grown it was given up before the mark, or took part
 *   in nothing since. An evaluation rewinds only to its own start, and every block it grows is
 *   younger. (The index lists members that no living version counts, and searching reads their
 * keys: hence the rule, rather than a repair.) */
#include <math.h>
#include <stdalign.h>
#include <stdatomic.h>

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
    if (count >= INT32_MAX)
        return pw_arena_fail(arena, false);
    size_t index = count > PW_OBJECT_SMALL ? count * sizeof(uint32_t) : 0;
    pw_object *object =
        pw_arena_alloc(arena, sizeof *object + count * sizeof object->members[0] + index);
    if (object)
        *object = (pw_object){ .order = NULL };
    return object;
}

static pw_value object_value(const pw_object *object, size_t count)
{
    return (pw_value){ .type = PW_OBJECT, .count = (uint32_t)count, .as.object = object };
}

static void set_index(pw_object *object, uint32_t *order, size_t count)
{
    object->order = order;
    object->total = (uint32_t)count;
    object->first = (uint32_t)count & INT32_MAX;
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
    if (living > PW_OBJECT_SMALL)
        set_index(object, order, living);
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

/* The place of a key in a run of the index, order[from..to): the first whose key is not below it.
 */
static size_t run_place(const pw_object *object, size_t from, size_t to, pw_str key)
{
    size_t low = from, high = to;
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

static size_t find_in_run(const pw_object *object, size_t from, size_t to, pw_str key)
{
    size_t place = run_place(object, from, to, key);
    bool found = place < to && pw_str_eq(object->members[object->order[place]].key, key);
    return found ? object->order[place] : ABSENT;
}

static size_t find(pw_value v, pw_str key)
{
    if (v.type != PW_OBJECT)
        return ABSENT;
    const pw_object *object = v.as.object;
    if (object->order) {
        size_t at = find_in_run(object, 0, object->first, key);
        if (at == ABSENT && object->first < object->total)
            at = find_in_run(object, object->first, object->total, key);
        return at < v.count ? at : ABSENT;
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

const pw_member *pw_find(pw_value object, pw_str key)
{
    size_t at = find(object, key);
    return at == ABSENT ? NULL : &object.as.object->members[at];
}

pw_value pw_get(pw_value object, pw_str key)
{
    const pw_member *found = pw_find(object, key);
    return found ? found->value : none();
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

void pw_cursor_start(pw_cursor *cursor, pw_value object)
{
    cursor->first = cursor->second = 0;
    if (object.as.object->order)
        return;
    for (uint8_t i = 0; i < object.count; i++) {
        size_t at = i;
        for (; at > 0 && compare_at(object.as.object->members, cursor->small[at - 1], i) > 0; at--)
            cursor->small[at] = cursor->small[at - 1];
        cursor->small[at] = i;
    }
}

const pw_member *pw_cursor_next(pw_cursor *cursor, pw_value v)
{
    const pw_object *object = v.as.object;
    if (!object->order)
        return &object->members[cursor->small[cursor->first++]];
    const uint32_t *first = object->order, *second = first + object->first;
    uint32_t firsts = object->first, seconds = object->total - object->first;
    while (cursor->first < firsts && first[cursor->first] >= v.count)
        cursor->first++;
    while (cursor->second < seconds && second[cursor->second] >= v.count)
        cursor->second++;
    PW_ASSERT(cursor->first < firsts || cursor->second < seconds);
    bool from_second = cursor->first == firsts || (cursor->second < seconds &&
                                                   compare_at(object->members, first[cursor->first],
                                                              second[cursor->second]) > 0);
    return &object->members[from_second ? second[cursor->second++] : first[cursor->first++]];
}

const pw_member **pw_members_sorted(pw_value object, pw_arena *arena)
{
    if (object.type != PW_OBJECT)
        return NULL;
    const pw_member **sorted = pw_arena_alloc(arena, object.count * sizeof *sorted);
    if (!sorted)
        return NULL;
    pw_cursor cursor;
    pw_cursor_start(&cursor, object);
    for (size_t i = 0; i < object.count; i++)
        sorted[i] = pw_cursor_next(&cursor, object);
    return sorted;
}

/* ---- changing */

/* Lists the members of `from` by key. */
static void copy_order(uint32_t *order, pw_value from)
{
    const pw_object *object = from.as.object;
    if (object->order && object->total == from.count && object->first == from.count) {
        memcpy(order, object->order, from.count * sizeof *order);
        return;
    }
    pw_cursor cursor;
    pw_cursor_start(&cursor, from);
    for (size_t i = 0; i < from.count; i++)
        order[i] = (uint32_t)(pw_cursor_next(&cursor, from) - object->members);
}

void pw_object_copy_index(pw_object *to, pw_value from)
{
    if (from.count <= PW_OBJECT_SMALL)
        return;
    uint32_t *order = (uint32_t *)(void *)(to->members + from.count);
    copy_order(order, from);
    set_index(to, order, from.count);
}

static void copy_members(pw_object *to, pw_value from)
{
    if (from.count)
        memcpy(to->members, from.as.object->members, from.count * sizeof to->members[0]);
}

/* The object with one more member at its end. */
static pw_value with_added(pw_arena *arena, pw_value v, pw_str key, pw_value value)
{
    pw_object *object = pw_object_room(arena, (size_t)v.count + 1);
    if (!object)
        return none();
    copy_members(object, v);
    object->members[v.count] = (pw_member){ key, value };
    if (v.count < PW_OBJECT_SMALL)
        return object_value(object, (size_t)v.count + 1);
    uint32_t *order = (uint32_t *)(void *)(object->members + v.count + 1);
    copy_order(order, v);
    set_index(object, order, v.count);
    size_t place = run_place(object, 0, v.count, key);
    memmove(order + place + 1, order + place, (v.count - place) * sizeof *order);
    order[place] = v.count;
    set_index(object, order, (size_t)v.count + 1);
    return object_value(object, (size_t)v.count + 1);
}

static pw_value with_replaced(pw_arena *arena, pw_value v, size_t at, pw_value value)
{
    pw_object *object = pw_object_room(arena, v.count);
    if (!object)
        return none();
    copy_members(object, v);
    object->members[at].value = value;
    pw_object_copy_index(object, v);
    return object_value(object, v.count);
}

pw_value pw_with(pw_arena *arena, pw_value v, pw_str key, pw_value value)
{
    if (v.type != PW_OBJECT)
        v = pw_object_of(arena, NULL, 0);
    if (v.type == PW_NONE || value.type == PW_NONE)
        return v;
    size_t at = find(v, key);
    if (at != ABSENT)
        return with_replaced(arena, v, at, value);
    pw_str own = pw_arena_str(arena, key);
    return own.ptr ? with_added(arena, v, own, value) : none();
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
        pw_cursor cursor;
        pw_cursor_start(&cursor, v);
        for (size_t i = 0, place = 0; i < v.count; i++) {
            size_t position = (size_t)(pw_cursor_next(&cursor, v) - old->members);
            if (position != at)
                order[place++] = (uint32_t)(position > at ? position - 1 : position);
        }
        set_index(object, order, count);
    }
    return object_value(object, count);
}

/* ---- growing */

typedef struct pw_growth {
    uint64_t owner;
    uint32_t room; /* members */
    uint32_t unused;
} pw_growth;
static_assert(sizeof(pw_growth) % alignof(pw_object) == 0, "an object lies behind it");

enum { SECOND_RUN_MAX = 256 }; /* then it is merged into the first */

uint64_t pw_owner_new(void)
{
    static _Atomic uint64_t last;
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

/* The growth of a value's block if `owner` may grow it and the value is the newest; else NULL. */
static const pw_growth *growth_of(pw_value v, uint64_t owner)
{
    const pw_object *object = v.as.object;
    if (!object->grows || object->total != v.count)
        return NULL;
    const pw_growth *growth = (const pw_growth *)(const void *)object - 1;
    return growth->owner == owner ? growth : NULL;
}

/* A copy of v, with room for more. */
static pw_object *growing_copy(pw_arena *arena, uint64_t owner, pw_value v, size_t room)
{
    if (room >= INT32_MAX)
        return pw_arena_fail(arena, false);
    size_t member = sizeof(pw_member) + sizeof(uint32_t);
    pw_growth *growth = pw_arena_alloc(arena, sizeof *growth + sizeof(pw_object) + room * member);
    if (!growth)
        return NULL;
    *growth = (pw_growth){ .owner = owner, .room = (uint32_t)room };
    pw_object *object = (pw_object *)(void *)(growth + 1);
    *object = (pw_object){ .grows = 1 };
    copy_members(object, v);
    uint32_t *order = (uint32_t *)(void *)(object->members + room);
    copy_order(order, v);
    set_index(object, order, v.count);
    return object;
}

/* Makes one run of the two, from the end. Returns how many places were written. */
static size_t merge_second_run(pw_object *object)
{
    uint32_t second[SECOND_RUN_MAX], *order = object->order;
    size_t left = object->first, more = object->total - object->first;
    memcpy(second, order + left, more * sizeof *order);
    while (more > 0) {
        size_t place = run_place(object, 0, left, object->members[second[more - 1]].key);
        memmove(order + place + more, order + place, (left - place) * sizeof *order);
        order[place + more - 1] = second[more - 1];
        left = place;
        more--;
    }
    size_t written = object->total - left;
    set_index(object, order, object->total);
    return written;
}

/* Adds a member for which there is room; nothing here can fail. */
static size_t grow_by(pw_object *object, pw_member member)
{
    uint32_t at = object->total, *order = object->order;
    object->members[at] = member;
    bool last = object->first == at && compare_at(object->members, order[at - 1], at) < 0;
    size_t place = last ? at : run_place(object, object->first, at, member.key);
    memmove(order + place + 1, order + place, (at - place) * sizeof *order);
    order[place] = at;
    object->total = at + 1;
    if (last)
        object->first = (at + 1) & INT32_MAX;
    size_t written = at - place + 1;
    if (object->total - object->first == SECOND_RUN_MAX)
        written += merge_second_run(object);
    return sizeof member + written * sizeof *order;
}

pw_value pw_with_growing(pw_arena *arena, uint64_t owner, pw_value v, pw_str key, pw_value value,
                         size_t *touched)
{
    if (v.type != PW_OBJECT)
        v = pw_object_of(arena, NULL, 0);
    if (v.type == PW_NONE || value.type == PW_NONE)
        return v;
    size_t at = find(v, key),
           bytes = (v.count + (size_t)1) * (sizeof(pw_member) + sizeof(uint32_t));
    const pw_growth *growth = growth_of(v, owner);
    pw_object *object = NULL;
    if (at != ABSENT && growth) { /* it will go on to grow */
        *touched += bytes;
        object = growing_copy(arena, owner, v, v.count + (size_t)v.count / 4 + 4);
        if (!object)
            return none();
        object->members[at].value = value;
        return object_value(object, v.count);
    }
    if (at != ABSENT || v.count < PW_OBJECT_SMALL) {
        *touched += bytes;
        return at != ABSENT ? with_replaced(arena, v, at, value) : with_added(arena, v, key, value);
    }
    if (growth && growth->room > v.count) {
        object = (pw_object *)(uintptr_t)v.as.object;
    } else { /* the second copy is likely to be followed by a third */
        *touched += bytes;
        size_t room = growth ? 2 * (size_t)v.count : v.count + (size_t)v.count / 4 + 4;
        object = growing_copy(arena, owner, v, room);
    }
    if (!object)
        return none();
    *touched += grow_by(object, (pw_member){ key, value });
    return object_value(object, (size_t)v.count + 1);
}

bool pw_replace_alone(pw_value v, pw_str key, pw_value value)
{
    size_t at = find(v, key);
    if (at == ABSENT)
        return false;
    ((pw_member *)(uintptr_t)v.as.object->members)[at].value = value;
    return true;
}
