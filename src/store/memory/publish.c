/* publish.c - what becomes of events at each sink, and dead letters, of the memory store. */
#include <stdlib.h>

#include "store/memory/reading.h"

/* What has a next_ms is in a second list too, in the order in which it is due. */
typedef struct publish {
    pw_str instance, sink, error, by, reason;
    uint64_t step, ordinal;
    pw_publish_state state;
    uint32_t attempts;
    bool requeued;
    int64_t next_ms; /* -1: held back, or not pending */
    int64_t created_ms, ended_ms;
} publish;

typedef struct due {
    pw_str sink, instance;
    int64_t next_ms;
    uint64_t step, ordinal;
} due;

static const pw_mem_shape publish_shape =
    SHAPE(publish, IN(publish, instance), IN(publish, sink), IN(publish, error), IN(publish, by),
          IN(publish, reason));
static const pw_mem_shape due_shape = SHAPE(due, IN(due, sink), IN(due, instance));
static const pw_mem_shape given_shape =
    SHAPE(pw_publish_row, IN(pw_publish_row, event.instance), IN(pw_publish_row, event.event.id),
          IN(pw_publish_row, event.event.type), IN(pw_publish_row, event.event.source),
          IN(pw_publish_row, event.event.payload), IN(pw_publish_row, namespace_),
          IN(pw_publish_row, name), IN(pw_publish_row, trace), IN(pw_publish_row, sink),
          IN(pw_publish_row, error), IN(pw_publish_row, by), IN(pw_publish_row, reason));
static const pw_mem_shape counts_shape = SHAPE(pw_publish_counts, IN(pw_publish_counts, sink));

static int compare(const void *item, const void *key)
{
    const publish *a = item, *b = key;
    int order = pw_str_cmp(a->instance, b->instance);
    order = order ? order : pw_mem_by_number(a->step, b->step);
    order = order ? order : pw_mem_by_number(a->ordinal, b->ordinal);
    return order ? order : pw_str_cmp(a->sink, b->sink);
}

static int compare_due(const void *item, const void *key)
{
    const due *a = item, *b = key;
    int order = pw_str_cmp(a->sink, b->sink);
    if (order == 0 && a->next_ms != b->next_ms)
        return a->next_ms < b->next_ms ? -1 : 1;
    order = order ? order : pw_str_cmp(a->instance, b->instance);
    order = order ? order : pw_mem_by_number(a->step, b->step);
    return order ? order : pw_mem_by_number(a->ordinal, b->ordinal);
}

static const publish *row_at(const pw_memory *m, size_t at)
{
    return m->publish.items[at];
}

/* ---- writing; false: out of memory */

static due due_of(const publish *row)
{
    return (due){ row->sink, row->instance, row->next_ms, row->step, row->ordinal };
}

static bool add_due(pw_memory *m, const publish *row)
{
    const due d = due_of(row);
    bool found = false;
    size_t at = pw_mem_find(&m->publish_due, compare_due, &d, &found);
    return row->next_ms < 0 || pw_mem_put(m, &m->publish_due, at, pw_mem_row_new(&due_shape, &d));
}

static bool remove_due(pw_memory *m, const publish *row)
{
    const due d = due_of(row);
    bool found = false;
    size_t at = pw_mem_find(&m->publish_due, compare_due, &d, &found);
    return row->next_ms < 0 || !found || pw_mem_remove(m, &m->publish_due, at);
}

/* What is there stays until the transaction is kept, so `row` may have its texts. */
static bool replace(pw_memory *m, size_t at, const publish *row)
{
    return remove_due(m, row_at(m, at)) && add_due(m, row) &&
           pw_mem_replace(m, &m->publish, at, pw_mem_row_new(&publish_shape, row));
}

/* The place behind the last row of an instance. */
static size_t behind_all(const pw_memory *m, pw_str instance)
{
    const publish last = { .instance = instance, .step = UINT64_MAX, .ordinal = UINT64_MAX };
    bool found = false;
    return pw_mem_find(&m->publish, compare, &last, &found);
}

static size_t first_of(const pw_memory *m, pw_str instance)
{
    const publish first = { .instance = instance, .sink = { "", 0 } };
    bool found = false;
    return pw_mem_find(&m->publish, compare, &first, &found);
}

static bool is_of(const publish *row, pw_str instance)
{
    return pw_str_eq(row->instance, instance);
}

static bool waits_in_order(const publish *row, pw_str sink)
{
    return row->state == PW_PUBLISH_PENDING && !row->requeued && pw_str_eq(row->sink, sink);
}

/* From the newest on: behind one that was published none is pending. */
static bool has_pending(const pw_memory *m, pw_str instance, pw_str sink)
{
    for (size_t at = behind_all(m, instance); at > 0 && is_of(row_at(m, at - 1), instance); at--) {
        const publish *row = row_at(m, at - 1);
        if (waits_in_order(row, sink))
            return true;
        if (row->state == PW_PUBLISH_DONE && !row->requeued && pw_str_eq(row->sink, sink))
            return false;
    }
    return false;
}

bool pw_mem_publish_put(pw_mem_handle *h, const pw_commit_item *item, const pw_outbox_event *event,
                        int64_t ordinal)
{
    pw_memory *m = h->data;
    pw_str sink;
    bool good = true;
    for (size_t i = 0; good && pw_store_next_sink(&h->base, event, &i, &sink);) {
        publish row = { .instance = item->instance,
                        .sink = sink,
                        .step = item->token + 1,
                        .ordinal = (uint64_t)ordinal,
                        .state = PW_PUBLISH_PENDING,
                        .created_ms = item->now_ms,
                        .ended_ms = -1 };
        row.next_ms = has_pending(m, row.instance, sink) ? -1 : item->now_ms;
        bool found = false;
        size_t at = pw_mem_find(&m->publish, compare, &row, &found);
        good = !found && add_due(m, &row) &&
               pw_mem_put(m, &m->publish, at, pw_mem_row_new(&publish_shape, &row));
    }
    return good;
}

bool pw_mem_publish_forget(pw_memory *m, pw_str instance)
{
    bool good = true;
    size_t from = first_of(m, instance);
    for (size_t at = behind_all(m, instance); good && at > from; at--)
        good = remove_due(m, row_at(m, at - 1)) && pw_mem_remove(m, &m->publish, at - 1);
    return good;
}

bool pw_mem_publish_left(const pw_memory *m, pw_str instance)
{
    bool left = false;
    for (size_t at = behind_all(m, instance); at > 0 && is_of(row_at(m, at - 1), instance) && !left;
         at--)
        left = row_at(m, at - 1)->state == PW_PUBLISH_PENDING ||
               row_at(m, at - 1)->state == PW_PUBLISH_DEAD;
    return left;
}

/* Lets go the oldest that is pending, if it was held back. */
static bool release(pw_memory *m, pw_str instance, pw_str sink, int64_t now_ms)
{
    for (size_t at = first_of(m, instance); at < m->publish.count && is_of(row_at(m, at), instance);
         at++) {
        publish row = *row_at(m, at);
        if (!waits_in_order(&row, sink))
            continue;
        bool held = row.next_ms < 0;
        row.next_ms = now_ms;
        return !held || replace(m, at, &row);
    }
    return true;
}

static bool end_one(pw_memory *m, pw_publish_end *end, int64_t now_ms)
{
    const publish key = {
        .instance = end->instance, .sink = end->sink, .step = end->sequence, .ordinal = end->ordinal
    };
    const pw_commit_item item = { .instance = end->instance, .epoch = end->epoch };
    bool found = false;
    size_t at = pw_mem_find(&m->publish, compare, &key, &found);
    if (!found || row_at(m, at)->state != PW_PUBLISH_PENDING || !pw_mem_holds(m, &item))
        return true;
    publish row = *row_at(m, at);
    bool again = end->state == PW_PUBLISH_PENDING;
    row.state = end->state;
    row.attempts = end->attempts;
    row.next_ms = again ? end->next_ms : -1;
    row.ended_ms = again ? -1 : now_ms;
    if (end->error.len > 0)
        row.error = end->error;
    end->written = true;
    return replace(m, at, &row) && (again || release(m, end->instance, end->sink, now_ms));
}

pawl_code pw_memory_publish_end(pw_store *base, pw_publish_end *ends, size_t count, int64_t now_ms,
                                pawl_error *err)
{
    pawl_code code = pw_mem_begin(base, err);
    if (code != PAWL_OK)
        return code;
    bool good = true;
    for (size_t i = 0; i < count && good; i++)
        good = end_one(pw_memory_of(base), &ends[i], now_ms);
    return pw_mem_end(base, good ? PAWL_OK : pw_no_memory(err), err);
}

/* ---- reading */

/* `row` with its event, as it is given; its id is in `arena`. */
static pw_publish_row given(const pw_memory *m, const publish *row, bool payload, pw_arena *arena)
{
    pw_publish_row out = { .ordinal = row->ordinal,
                           .sink = row->sink,
                           .state = row->state,
                           .attempts = row->attempts,
                           .next_ms = row->next_ms,
                           .requeued = row->requeued,
                           .error = row->error,
                           .created_ms = row->created_ms,
                           .ended_ms = row->ended_ms,
                           .by = row->by,
                           .reason = row->reason };
    const pw_mem_instance *in = pw_mem_instance_of(m, row->instance);
    const pw_mem_place place = { row->instance, row->step, (int64_t)row->ordinal };
    bool found = false;
    size_t at = in ? pw_mem_find(&in->outbox, pw_mem_compare_outbox, &place, &found) : 0;
    PW_ASSERT(found); /* they come and go together */
    out.event = *(const pw_outbox_row *)in->outbox.items[at];
    out.event.event.id = pw_arena_str(arena, out.event.event.id);
    if (!payload)
        out.event.event.payload = (pw_str){ "", 0 };
    out.namespace_ = pw_mem_row_of(in)->namespace_;
    out.name = pw_mem_row_of(in)->name;
    out.trace = pw_mem_row_of(in)->trace;
    return out;
}

static bool add_due_row(const pw_memory *m, rows *r, size_t *bytes, const publish *row,
                        int64_t next_ms)
{
    if (*bytes >= PW_PUBLISH_PAGE_BYTES || r->arena->failed)
        return false;
    pw_publish_row out = given(m, row, true, r->arena);
    out.next_ms = next_ms;
    *bytes += out.event.event.payload.len;
    return add(r, &out) != NULL;
}

/* The one right behind it that was held back and has never failed; false: none. */
static bool follow(const pw_memory *m, size_t *at, pw_str sink)
{
    const pw_str instance = row_at(m, *at)->instance;
    for (++*at; *at < m->publish.count && is_of(row_at(m, *at), instance); ++*at)
        if (waits_in_order(row_at(m, *at), sink))
            return row_at(m, *at)->next_ms < 0 && row_at(m, *at)->attempts == 0;
    return false;
}

typedef struct turn { /* of an instance, in a page */
    size_t at;
    int64_t next_ms;
    bool over;
} turn;

/* The oldest of each instance; gives how many. */
static size_t heads(const pw_memory *m, turn *turns, pw_str sink, uint64_t partitions,
                    int64_t now_ms, uint32_t limit)
{
    const due from = { .sink = sink, .next_ms = -1 };
    bool found = false;
    size_t count = 0;
    for (size_t i = pw_mem_find(&m->publish_due, compare_due, &from, &found);
         i < m->publish_due.count && count < limit; i++) {
        const due *d = m->publish_due.items[i];
        if (!pw_str_eq(d->sink, sink) || d->next_ms > now_ms)
            break;
        const publish key = {
            .instance = d->instance, .sink = sink, .step = d->step, .ordinal = d->ordinal
        };
        if (!among(partitions, d->instance))
            continue;
        size_t at = pw_mem_find(&m->publish, compare, &key, &found);
        PW_ASSERT(found);
        turns[count++] = (turn){ at, d->next_ms, false };
    }
    return count;
}

static void fill(const pw_memory *m, rows *r, turn *turns, size_t count, pw_str sink,
                 uint32_t limit)
{
    size_t bytes = 0, left = count;
    for (size_t i = 0; i < count; i++) {
        if (!add_due_row(m, r, &bytes, row_at(m, turns[i].at), turns[i].next_ms))
            return;
        turns[i].over = row_at(m, turns[i].at)->requeued;
        left -= turns[i].over;
    }
    while (left > 0) {
        for (size_t i = 0; i < count; i++) {
            if (turns[i].over)
                continue;
            turns[i].over = !follow(m, &turns[i].at, sink);
            left -= turns[i].over;
            if (!turns[i].over &&
                (r->count >= limit ||
                 !add_due_row(m, r, &bytes, row_at(m, turns[i].at), turns[i].next_ms)))
                return;
        }
    }
}

pawl_code pw_memory_publish_due(pw_store *base, pw_str sink, uint64_t partitions, int64_t now_ms,
                                uint32_t limit, pw_publish_row **out, size_t *count,
                                pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &given_shape, .arena = arena };
    turn *turns = PW_NEW_ARRAY(arena, turn, limit);
    if (!turns)
        return pw_no_memory(err);
    pthread_mutex_lock(&m->lock);
    fill(m, &r, turns, heads(m, turns, sink, partitions, now_ms, limit), sink, limit);
    if (r.count > 1 && !arena->failed)
        qsort(r.items, r.count, sizeof(pw_publish_row), pw_store_due_order);
    return give(m, &r, out, count, err);
}

pawl_code pw_memory_publish_next(pw_store *base, pw_str sink, uint64_t partitions, int64_t now_ms,
                                 int64_t *out, pawl_error *err)
{
    (void)err;
    pw_memory *m = pw_memory_of(base);
    const due from = { .sink = sink, .next_ms = now_ms < INT64_MAX ? now_ms + 1 : now_ms };
    bool found = false;
    *out = PW_WAKE_NEVER;
    pthread_mutex_lock(&m->lock);
    for (size_t i = pw_mem_find(&m->publish_due, compare_due, &from, &found);
         i < m->publish_due.count && *out == PW_WAKE_NEVER; i++) {
        const due *d = m->publish_due.items[i];
        if (!pw_str_eq(d->sink, sink))
            break;
        if (among(partitions, d->instance))
            *out = d->next_ms;
    }
    pthread_mutex_unlock(&m->lock);
    return PAWL_OK;
}

static int by_sink(const void *a, const void *b)
{
    const pw_publish_counts *x = a, *y = b;
    return pw_str_cmp(x->sink, y->sink);
}

pawl_code pw_memory_publish_count(pw_store *base, pw_publish_counts **out, size_t *count,
                                  pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &counts_shape, .arena = arena };
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->publish.count && !arena->failed; i++) {
        const publish *row = row_at(m, i);
        if (row->state != PW_PUBLISH_PENDING && row->state != PW_PUBLISH_DEAD)
            continue;
        pw_publish_counts *c = (pw_publish_counts *)(void *)r.items;
        size_t at = 0;
        while (at < r.count && !pw_str_eq(c[at].sink, row->sink))
            at++;
        pw_publish_counts *of =
            at < r.count ? &c[at]
                         : add(&r, &(pw_publish_counts){ .sink = row->sink, .oldest_ms = -1 });
        if (!of)
            break;
        of->dead += row->state == PW_PUBLISH_DEAD;
        of->pending += row->state == PW_PUBLISH_PENDING;
        if (row->state == PW_PUBLISH_PENDING &&
            (of->oldest_ms < 0 || row->created_ms < of->oldest_ms))
            of->oldest_ms = row->created_ms;
    }
    if (r.count > 1)
        qsort(r.items, r.count, sizeof(pw_publish_counts), by_sink);
    return give(m, &r, out, count, err);
}

/* ---- dead letters */

static bool is_any_or(pw_str wanted, pw_str is)
{
    return wanted.len == 0 || pw_str_eq(wanted, is);
}

static bool lets_through(const pw_letter_filter *filter, const pw_letter_place *behind,
                         const pw_publish_row *row)
{
    const pw_letter_place place = pw_store_letter_place(row);
    bool failed = row->state == PW_PUBLISH_DISCARDED ||
                  (row->state == PW_PUBLISH_PENDING && row->attempts > 0);
    return (row->state == PW_PUBLISH_DEAD || (filter->all && failed)) &&
           pw_store_letter_cmp(behind, &place) < 0 && is_any_or(filter->sink, row->sink) &&
           is_any_or(filter->instance, row->event.instance) &&
           is_any_or(filter->type, row->event.event.type) &&
           one_of(filter->namespaces, filter->namespace_count, row->namespace_);
}

static int newest_first(const void *a, const void *b)
{
    const pw_letter_place x = pw_store_letter_place(a), y = pw_store_letter_place(b);
    return pw_store_letter_cmp(&x, &y);
}

static pw_publish_row letter_of(const pw_memory *m, size_t at, bool payload, pw_arena *arena)
{
    pw_publish_row row = given(m, row_at(m, at), payload, arena);
    row.trace = (pw_str){ "", 0 };
    return row;
}

pawl_code pw_memory_letters(pw_store *base, const pw_letter_filter *filter,
                            const pw_letter_place *behind, uint32_t limit, pw_publish_row **out,
                            size_t *count, pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &given_shape, .arena = arena };
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->publish.count; i++) {
        const pw_publish_row row = letter_of(m, i, false, arena);
        if (lets_through(filter, behind, &row))
            (void)add(&r, &row);
    }
    if (r.count > 1)
        qsort(r.items, r.count, sizeof(pw_publish_row), newest_first);
    r.count = r.count > limit ? limit : r.count;
    return give(m, &r, out, count, err);
}

pawl_code pw_memory_letter_count(pw_store *base, const pw_letter_filter *filter,
                                 const pw_letter_place *behind, uint64_t *out, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->publish.count; i++) {
        const pw_publish_row row = letter_of(m, i, false, &arena);
        *out += lets_through(filter, behind, &row);
    }
    pthread_mutex_unlock(&m->lock);
    bool failed = arena.failed;
    pw_arena_done(&arena);
    return failed ? pw_no_memory(err) : PAWL_OK;
}

pawl_code pw_memory_letters_of(pw_store *base, const pw_letter_place *place, pw_publish_row **out,
                               size_t *count, pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &given_shape, .arena = arena };
    const publish from = { .instance = place->instance,
                           .sink = { "", 0 },
                           .step = place->step,
                           .ordinal = place->ordinal };
    bool found = false;
    pthread_mutex_lock(&m->lock);
    for (size_t i = pw_mem_find(&m->publish, compare, &from, &found); i < m->publish.count; i++) {
        const publish *row = row_at(m, i);
        if (!is_of(row, place->instance) || row->step != place->step ||
            row->ordinal != place->ordinal)
            break;
        const pw_publish_row letter = letter_of(m, i, true, arena);
        if (is_any_or(place->sink, row->sink))
            (void)add(&r, &letter);
    }
    return give(m, &r, out, count, err);
}

static pawl_code change_letter(pw_memory *m, pw_letter_change *change, pawl_error *err)
{
    const pw_letter_place *place = &change->place;
    const publish key = { .instance = place->instance,
                          .sink = place->sink,
                          .step = place->step,
                          .ordinal = place->ordinal };
    bool found = false;
    size_t at = pw_mem_find(&m->publish, compare, &key, &found);
    if (!found)
        return pw_store_no_letter(err, change->event, place->sink);
    publish row = *row_at(m, at);
    if (!pw_store_letter_may(row.state, change->requeue, &change->changed))
        return pw_store_letter_is(err, place, row.state);
    if (!change->changed)
        return PAWL_OK;
    row.state = change->requeue ? PW_PUBLISH_PENDING : PW_PUBLISH_DISCARDED;
    row.next_ms = change->requeue ? change->now_ms : -1;
    row.ended_ms = change->requeue ? -1 : change->now_ms;
    row.attempts = change->requeue ? 0 : row.attempts;
    row.requeued = change->requeue || row.requeued;
    row.by = change->by;
    row.reason = change->reason;
    bool good = replace(m, at, &row) &&
                (change->requeue || release(m, place->instance, place->sink, change->now_ms));
    return good ? PAWL_OK : pw_no_memory(err);
}

static pawl_code change_letters(pw_memory *m, pw_letter_change *changes, size_t count, bool lenient,
                                pawl_error *err)
{
    for (size_t i = 0; i < count; i++) {
        pawl_code code = change_letter(m, &changes[i], err);
        if (code != PAWL_OK && !(lenient && (code == PAWL_NOT_FOUND || code == PAWL_STATE)))
            return code;
    }
    return PAWL_OK;
}

pawl_code pw_memory_letters_change(pw_store *base, pw_letter_change *changes, size_t count,
                                   bool lenient, pawl_error *err)
{
    pawl_code code = pw_mem_begin(base, err);
    if (code != PAWL_OK)
        return code;
    return pw_mem_end(base, change_letters(pw_memory_of(base), changes, count, lenient, err), err);
}

/* ---- for the auditor */

bool pw_mem_publish_pending(const pw_memory *m, size_t at, pw_publish_row *out)
{
    const publish *row = row_at(m, at);
    *out = (pw_publish_row){ .event = { .instance = row->instance, .sequence = row->step },
                             .ordinal = row->ordinal,
                             .sink = row->sink,
                             .next_ms = row->next_ms,
                             .requeued = row->requeued,
                             .created_ms = row->created_ms };
    return row->state == PW_PUBLISH_PENDING;
}
