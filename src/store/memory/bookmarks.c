/* bookmarks.c - bookmarks of the memory store: what a step opens, changes and ends, and what is
 * open. */
#include <stdlib.h>

#include "store/memory/reading.h"

/* ---- rows of a step */

bool pw_mem_bookmark_put(pw_memory *m, pw_mem_instance *in, pw_commit_item *item,
                         const pw_bookmark *b)
{
    bool found = false;
    size_t at = pw_mem_find(&in->bookmarks, pw_mem_compare_bookmark, b, &found);
    if (found) {
        pw_mem_refuse(item, "this visit has the bookmark already:", b->key);
        return true;
    }
    pw_bookmark_row row = { .bookmark = *b,
                            .open = true,
                            .created_ms = item->now_ms,
                            .ended_ms = -1,
                            .claimed_until = -1 };
    if (row.bookmark.due_at < 0)
        row.bookmark.due_at = -1;
    return pw_mem_put(m, &in->bookmarks, at, pw_mem_row_new(&pw_mem_bookmark_shape, &row));
}

/* An open one, and its place; NULL: there is none. */
static const pw_bookmark_row *open_at(const pw_mem_instance *in, uint64_t visit, pw_str key,
                                      size_t *at)
{
    const pw_bookmark place = { .visit = visit, .key = key };
    bool found = false;
    *at = pw_mem_find(&in->bookmarks, pw_mem_compare_bookmark, &place, &found);
    const pw_bookmark_row *row = found ? in->bookmarks.items[*at] : NULL;
    return row && row->open ? row : NULL;
}

bool pw_mem_bookmark_change(pw_memory *m, pw_mem_instance *in, pw_commit_item *item,
                            const pw_bookmark_change *change)
{
    size_t at = 0;
    const pw_bookmark_row *there = open_at(in, change->visit, change->key, &at);
    if (!there) {
        (void)pw_store_bookmark_not_there(item, change);
        return true;
    }
    pw_bookmark_row row = *there;
    row.bookmark.assigned_to = change->assigned_to;
    row.claimed_by = change->claimed_by;
    row.claimed_until =
        change->claimed_by.len > 0 && change->claimed_until >= 0 ? change->claimed_until : -1;
    return pw_mem_replace(m, &in->bookmarks, at, pw_mem_row_new(&pw_mem_bookmark_shape, &row));
}

bool pw_mem_bookmark_end(pw_memory *m, pw_mem_instance *in, pw_commit_item *item,
                         const pw_bookmark_end *end)
{
    size_t at = 0;
    const pw_bookmark_row *there = open_at(in, end->visit, end->key, &at);
    if (!there) {
        (void)pw_store_bookmark_not_open(item, end);
        return true;
    }
    pw_bookmark_row row = *there;
    row.open = false;
    row.consumed = end->consumed;
    row.ended_ms = item->now_ms;
    row.by = end->by;
    row.digest = end->digest;
    if (!pw_mem_replace(m, &in->bookmarks, at, pw_mem_row_new(&pw_mem_bookmark_shape, &row)))
        return false;
    return row.bookmark.kind != PW_BOOKMARK_MESSAGE || pw_mem_subscriptions_end(m, in, end->visit);
}

bool pw_mem_bookmarks_end_all(pw_memory *m, pw_mem_instance *in, const pw_commit_item *item)
{
    bool good = true;
    for (size_t i = 0; good && i < in->bookmarks.count; i++) {
        pw_bookmark_row row = *(const pw_bookmark_row *)in->bookmarks.items[i];
        if (!row.open)
            continue;
        row.open = false;
        row.ended_ms = item->now_ms;
        good = pw_mem_replace(m, &in->bookmarks, i, pw_mem_row_new(&pw_mem_bookmark_shape, &row));
    }
    return good;
}

/* ---- of one instance */

pawl_code pw_memory_bookmarks(pw_store *base, pw_str id, bool open_only, pw_bookmark_row **out,
                              size_t *count, pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &pw_mem_bookmark_shape, .arena = arena };
    pthread_mutex_lock(&m->lock);
    const pw_mem_instance *in = pw_mem_instance_of(m, id);
    for (size_t i = 0; in && i < in->bookmarks.count; i++) {
        const pw_bookmark_row *row = in->bookmarks.items[i];
        if (row->open || !open_only)
            (void)add(&r, row);
    }
    return give(m, &r, out, count, err);
}

pawl_code pw_memory_bookmark_by_key(pw_store *base, pw_str id, pw_str key, pw_bookmark_row *out,
                                    pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    pthread_mutex_lock(&m->lock);
    const pw_mem_instance *in = pw_mem_instance_of(m, id);
    const pw_bookmark_row *newest = NULL;
    for (size_t i = 0; in && i < in->bookmarks.count; i++) {
        const pw_bookmark_row *row = in->bookmarks.items[i];
        if (pw_str_eq(row->bookmark.key, key))
            newest = row; /* they are in the order of visits */
    }
    return give_one(m, &pw_mem_bookmark_shape, out, newest, "bookmark", key, arena, err);
}

/* ---- lists of what is open */

static const pw_mem_shape open_shape = SHAPE(
    pw_open_bookmark, IN(pw_open_bookmark, row.bookmark.task),
    IN(pw_open_bookmark, row.bookmark.key), IN(pw_open_bookmark, row.bookmark.assigned_to),
    IN(pw_open_bookmark, row.bookmark.candidates), IN(pw_open_bookmark, row.bookmark.message_type),
    IN(pw_open_bookmark, row.bookmark.payload), IN(pw_open_bookmark, row.by),
    IN(pw_open_bookmark, row.digest), IN(pw_open_bookmark, row.claimed_by),
    IN(pw_open_bookmark, instance), IN(pw_open_bookmark, namespace_), IN(pw_open_bookmark, name),
    IN(pw_open_bookmark, version));

/* Whether one of these people may do it; none: whoever. */
static bool is_for(const pw_bookmark *b, const pw_str *people, size_t people_count, pw_arena *arena)
{
    pw_str *who = NULL;
    size_t count = 0;
    bool is = people_count == 0;
    if (!is && !pw_store_who(&who, &count, b, arena))
        return false; /* seen in the arena */
    for (size_t i = 0; i < count && !is; i++)
        is = one_of(people, people_count, who[i]);
    return is;
}

static int compare_tasks(const void *a, const void *b)
{
    const pw_open_place x = pw_store_place_of(a, true), y = pw_store_place_of(b, true);
    return pw_store_place_cmp(&x, &y);
}

static int compare_ages(const void *a, const void *b)
{
    const pw_open_place x = pw_store_place_of(a, false), y = pw_store_place_of(b, false);
    return pw_store_place_cmp(&x, &y);
}

typedef struct listing {
    const pw_bookmark_filter *filter;
    const pw_open_place *behind;
    const pw_str *people;
    size_t people_count;
    rows r;
} listing;

static bool is_wanted(listing *l, const pw_open_bookmark *open)
{
    const pw_bookmark_filter *filter = l->filter;
    const pw_bookmark *b = &open->row.bookmark;
    const pw_open_place at = pw_store_place_of(open, l->behind->tasks);
    return open->row.open && (!filter->by_kind || b->kind == filter->kind) &&
           pw_store_place_cmp(&at, l->behind) > 0 &&
           is_for(b, l->people, l->people_count, l->r.arena);
}

static void list_instance(listing *l, const pw_mem_instance *in)
{
    const pw_bookmark_filter *filter = l->filter;
    const pw_instance_row *row = pw_mem_row_of(in);
    if ((filter->instance.len > 0 && !pw_str_eq(row->id, filter->instance)) ||
        (filter->namespace_.len > 0 && !pw_str_eq(row->namespace_, filter->namespace_)) ||
        (filter->name.len > 0 && !pw_str_eq(row->name, filter->name)) ||
        !one_of(filter->namespaces, filter->namespace_count, row->namespace_))
        return;
    for (size_t i = 0; i < in->bookmarks.count; i++) {
        const pw_open_bookmark open = { .row = *(const pw_bookmark_row *)in->bookmarks.items[i],
                                        .instance = row->id,
                                        .namespace_ = row->namespace_,
                                        .name = row->name,
                                        .version = row->version,
                                        .token = row->token };
        if (is_wanted(l, &open))
            (void)add(&l->r, &open);
    }
}

pawl_code pw_memory_open_bookmarks(pw_store *base, const pw_bookmark_filter *filter,
                                   const pw_open_place *behind, const pw_str *people,
                                   size_t people_count, uint32_t limit, pw_open_bookmark **out,
                                   size_t *count, pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    listing l = { .filter = filter,
                  .behind = behind,
                  .people = people,
                  .people_count = people_count,
                  .r = { .shape = &open_shape, .arena = arena } };
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->instances.count; i++)
        list_instance(&l, m->instances.items[i]);
    if (l.r.count > 1)
        qsort(l.r.items, l.r.count, sizeof(pw_open_bookmark),
              behind->tasks ? compare_tasks : compare_ages);
    l.r.count = l.r.count > limit ? limit : l.r.count;
    return give(m, &l.r, out, count, err);
}
