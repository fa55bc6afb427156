/* publish.c - what becomes of events at each sink, and dead letters, of the SQLite store. */
#include <stdlib.h>

#include "store/sqlite/reading.h"

enum { PUBLISH_COLUMNS = 14 };

/* ---- rows of a step */

int pw_sqlite_publish_put(pw_sqlite *store, const pw_commit_item *item,
                          const pw_outbox_event *event, int64_t ordinal)
{
    pw_str sink;
    int rc = SQLITE_OK;
    for (size_t at = 0; rc == SQLITE_OK && pw_store_next_sink(&store->base, event, &at, &sink);) {
        pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_PUBLISH_PUT);
        pw_bind_text(&q, 1, item->instance);
        pw_bind_int(&q, 2, (int64_t)item->token + 1);
        pw_bind_int(&q, 3, ordinal);
        pw_bind_text(&q, 4, sink);
        pw_bind_int(&q, 5, pw_store_partition(item->instance));
        pw_bind_int(&q, 6, item->now_ms);
        rc = pw_sqlite_write(store, &q, NULL);
    }
    return rc;
}

/* ---- publishing */

static void read_row(reading *r, pw_publish_row *row)
{
    static const char table[] = "outbox_delivery";
    pw_outbox_row *o = &row->event;
    o->instance = text(r, 0);
    o->sequence = natural(r, 1, table, o->instance, "its step is negative");
    row->ordinal = natural(r, 2, table, o->instance, "its ordinal is negative");
    o->event.id =
        pw_arena_printf(r->arena, PW_FMT "-%llu-%llu", PW_ARG(o->instance),
                        (unsigned long long)o->sequence, (unsigned long long)row->ordinal);
    row->sink = text(r, 3);
    if (!pw_publish_state_parse(&row->state, text(r, 4)))
        bad_row(r, table, o->instance, "its state is none that this program knows");
    row->attempts = small(r, 5, table, o->instance, "its attempts are out of range");
    row->requeued = integer(r, 6) != 0;
    o->created_ms = row->created_ms = integer(r, 7);
    row->ended_ms = pw_column_int(&r->query, 8, -1);
    row->by = text(r, 9);
    row->reason = text(r, 10);
    row->error = text(r, 11);
    o->event.type = text(r, 12);
    o->event.source = text(r, 13);
    row->next_ms = pw_column_int(&r->query, PUBLISH_COLUMNS, -1);
}

pawl_code pw_sqlite_publish_due(pw_store *base, pw_str sink, uint64_t partitions, int64_t now_ms,
                                uint32_t limit, pw_publish_row **out, size_t *count,
                                pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_PUBLISH_DUE, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, sink);
    pw_bind_int(&r.query, 2, now_ms);
    pw_bind_int(&r.query, 3, (int64_t)partitions);
    pw_bind_int(&r.query, 4, limit);
    rows list = { .size = sizeof(pw_publish_row) };
    size_t bytes = 0;
    while (bytes < PW_PUBLISH_PAGE_BYTES && next(&r)) {
        pw_publish_row *row = add(&r, &list);
        if (!row)
            break;
        read_row(&r, row);
        row->event.event.payload = text(&r, PUBLISH_COLUMNS + 1);
        row->trace = text(&r, PUBLISH_COLUMNS + 2);
        bytes += row->event.event.payload.len;
    }
    code = read_end(&r);
    if (code == PAWL_OK && list.count > 1)
        qsort(list.items, list.count, list.size, pw_store_due_order);
    *out = list.items;
    *count = list.count;
    return code;
}

pawl_code pw_sqlite_publish_next(pw_store *base, pw_str sink, uint64_t partitions, int64_t now_ms,
                                 int64_t *out, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_PUBLISH_NEXT, NULL, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, sink);
    pw_bind_int(&r.query, 2, now_ms);
    pw_bind_int(&r.query, 3, (int64_t)partitions);
    int64_t at = next(&r) ? integer(&r, 0) : PW_WAKE_NEVER;
    code = read_end(&r);
    if (code == PAWL_OK)
        *out = at;
    return code;
}

static int end_one(pw_sqlite *store, pw_publish_end *end, int64_t now_ms)
{
    uint64_t epoch = store->epochs[pw_store_partition(end->instance)];
    if (end->epoch != 0 && end->epoch != epoch)
        return SQLITE_OK; /* another's now: see choose() of commit.c */
    bool again = end->state == PW_PUBLISH_PENDING;
    int changes = 0;
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_PUBLISH_END);
    pw_bind_text(&q, 1, end->instance);
    pw_bind_int(&q, 2, (int64_t)end->sequence);
    pw_bind_int(&q, 3, (int64_t)end->ordinal);
    pw_bind_text(&q, 4, end->sink);
    pw_bind_text(&q, 5, pw_str_of(pw_publish_state_name(end->state)));
    pw_bind_int(&q, 6, end->attempts);
    pw_bind_time(&q, 7, again ? end->next_ms : -1);
    pw_bind_optional(&q, 8, end->error);
    pw_bind_time(&q, 9, again ? -1 : now_ms);
    int rc = pw_sqlite_write(store, &q, &changes);
    end->written = changes > 0;
    return rc;
}

static int release(pw_sqlite *store, pw_str instance, pw_str sink, int64_t now_ms)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_PUBLISH_RELEASE);
    pw_bind_text(&q, 1, instance);
    pw_bind_text(&q, 2, sink);
    pw_bind_int(&q, 3, now_ms);
    return pw_sqlite_write(store, &q, NULL);
}

static bool same_row_of_events(const pw_publish_end *a, const pw_publish_end *b)
{
    return pw_str_eq(a->instance, b->instance) && pw_str_eq(a->sink, b->sink);
}

/* Those of one instance stand together in a page: the next of them is let go once. */
static pawl_code end_all(pw_sqlite *store, pw_publish_end *ends, size_t count, int64_t now_ms,
                         pawl_error *err)
{
    int rc = SQLITE_OK;
    bool any = false, ended = false;
    for (size_t i = 0; i < count && rc == SQLITE_OK; i++) {
        rc = end_one(store, &ends[i], now_ms);
        any = any || ends[i].written;
        ended = ended || (ends[i].written && ends[i].state != PW_PUBLISH_PENDING);
        if (i + 1 < count && same_row_of_events(&ends[i], &ends[i + 1]))
            continue;
        if (rc == SQLITE_OK && ended)
            rc = release(store, ends[i].instance, ends[i].sink, now_ms);
        ended = false;
    }
    if (rc != SQLITE_OK)
        return pw_sqlite_write_failed(store, rc, "write what became of events", err);
    return any ? PAWL_OK : PAWL_CONFLICT; /* nothing to commit */
}

pawl_code pw_sqlite_publish_end(pw_store *base, pw_publish_end *ends, size_t count, int64_t now_ms,
                                pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    code = pw_sqlite_end(store, end_all(store, ends, count, now_ms, err), err);
    return code == PAWL_CONFLICT ? PAWL_OK : code;
}

pawl_code pw_sqlite_publish_count(pw_store *base, pw_publish_counts **out, size_t *count,
                                  pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_PUBLISH_COUNT, arena, err);
    if (code != PAWL_OK)
        return code;
    rows list = { .size = sizeof(pw_publish_counts) };
    while (next(&r)) {
        pw_publish_counts *row = add(&r, &list);
        if (!row)
            break;
        row->sink = text(&r, 0);
        row->pending = (uint64_t)integer(&r, 1);
        row->dead = (uint64_t)integer(&r, 2);
        row->oldest_ms = pw_column_int(&r.query, 3, -1);
    }
    code = read_end(&r);
    *out = list.items;
    *count = list.count;
    return code;
}

/* ---- dead letters */

static void read_letter(reading *r, pw_publish_row *row)
{
    read_row(r, row);
    row->namespace_ = text(r, PUBLISH_COLUMNS + 1);
    row->name = text(r, PUBLISH_COLUMNS + 2);
}

/* `namespaces` must stay until the statement has ended. */
static void bind_filter(pw_query *query, const pw_letter_filter *filter,
                        const pw_letter_place *behind, pw_buf *namespaces)
{
    pw_write_array(namespaces, filter->namespaces, filter->namespace_count);
    pw_bind_int(query, 1, behind->created_ms);
    pw_bind_text(query, 2, behind->instance);
    pw_bind_int(query, 3, (int64_t)behind->step);
    pw_bind_int(query, 4, (int64_t)behind->ordinal);
    pw_bind_text(query, 5, behind->sink);
    pw_bind_optional(query, 7, filter->sink);
    pw_bind_optional(query, 8, filter->instance);
    pw_bind_optional(query, 9, filter->type);
    pw_bind_buf(query, 10, namespaces);
}

pawl_code pw_sqlite_letters(pw_store *base, const pw_letter_filter *filter,
                            const pw_letter_place *behind, uint32_t limit, pw_publish_row **out,
                            size_t *count, pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(
        &r, base, filter->all ? PW_SQLITE_SQL_LETTERS_ALL : PW_SQLITE_SQL_LETTERS, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_buf namespaces;
    bind_filter(&r.query, filter, behind, &namespaces);
    pw_bind_int(&r.query, 6, limit);
    rows list = { .size = sizeof(pw_publish_row) };
    while (next(&r)) {
        pw_publish_row *row = add(&r, &list);
        if (row)
            read_letter(&r, row);
    }
    code = read_end(&r);
    pw_buf_done(&namespaces);
    *out = list.items;
    *count = list.count;
    return code;
}

pawl_code pw_sqlite_letter_count(pw_store *base, const pw_letter_filter *filter,
                                 const pw_letter_place *behind, uint64_t *out, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(
        &r, base, filter->all ? PW_SQLITE_SQL_LETTER_COUNT_ALL : PW_SQLITE_SQL_LETTER_COUNT, NULL,
        err);
    if (code != PAWL_OK)
        return code;
    pw_buf namespaces;
    bind_filter(&r.query, filter, behind, &namespaces);
    if (next(&r))
        *out = (uint64_t)integer(&r, 0);
    code = read_end(&r);
    pw_buf_done(&namespaces);
    return code;
}

static void bind_place(pw_query *query, const pw_letter_place *place)
{
    pw_bind_text(query, 1, place->instance);
    pw_bind_int(query, 2, (int64_t)place->step);
    pw_bind_int(query, 3, (int64_t)place->ordinal);
}

pawl_code pw_sqlite_letters_of(pw_store *base, const pw_letter_place *place, pw_publish_row **out,
                               size_t *count, pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_LETTERS_OF, arena, err);
    if (code != PAWL_OK)
        return code;
    bind_place(&r.query, place);
    pw_bind_optional(&r.query, 4, place->sink);
    rows list = { .size = sizeof(pw_publish_row) };
    while (next(&r)) {
        pw_publish_row *row = add(&r, &list);
        if (!row)
            break;
        read_letter(&r, row);
        row->event.event.payload = text(&r, PUBLISH_COLUMNS + 3);
    }
    code = read_end(&r);
    *out = list.items;
    *count = list.count;
    return code;
}

static int look_at_state(pw_sqlite *store, const pw_letter_place *place, pw_publish_state *state,
                         bool *found)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_LETTER_STATE);
    bind_place(&q, place);
    pw_bind_text(&q, 4, place->sink);
    *found =
        pw_query_row(&q) &&
        pw_publish_state_parse(state, pw_str_of((const char *)sqlite3_column_text(q.statement, 0)));
    return pw_sqlite_looked(store, &q);
}

static int write_change(pw_sqlite *store, const pw_letter_change *change)
{
    const pw_letter_place *place = &change->place;
    pw_query q = pw_query_begin(&store->writer, change->requeue ? PW_SQLITE_SQL_LETTER_REQUEUE
                                                                : PW_SQLITE_SQL_LETTER_DISCARD);
    bind_place(&q, place);
    pw_bind_text(&q, 4, place->sink);
    pw_bind_int(&q, 5, change->now_ms);
    pw_bind_text(&q, 6, change->by);
    pw_bind_optional(&q, 7, change->reason);
    int rc = pw_sqlite_write(store, &q, NULL);
    return rc == SQLITE_OK && !change->requeue
               ? release(store, place->instance, place->sink, change->now_ms)
               : rc;
}

static pawl_code change_letter(pw_sqlite *store, pw_letter_change *change, pawl_error *err)
{
    static const char doing[] = "change a dead letter";
    pw_publish_state state = PW_PUBLISH_DONE;
    bool found = false;
    int rc = look_at_state(store, &change->place, &state, &found);
    if (rc != SQLITE_OK)
        return pw_sqlite_write_failed(store, rc, doing, err);
    if (!found)
        return pw_store_no_letter(err, change->event, change->place.sink);
    if (!pw_store_letter_may(state, change->requeue, &change->changed))
        return pw_store_letter_is(err, &change->place, state);
    rc = change->changed ? write_change(store, change) : SQLITE_OK;
    return rc == SQLITE_OK ? PAWL_OK : pw_sqlite_write_failed(store, rc, doing, err);
}

static pawl_code change_letters(pw_sqlite *store, pw_letter_change *changes, size_t count,
                                bool lenient, pawl_error *err)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        pawl_code code = change_letter(store, &changes[i], err);
        if (code != PAWL_OK && !(lenient && (code == PAWL_NOT_FOUND || code == PAWL_STATE)))
            return code;
        any = any || changes[i].changed;
    }
    return any ? PAWL_OK : PAWL_CONFLICT; /* as they are: nothing to commit */
}

pawl_code pw_sqlite_letters_change(pw_store *base, pw_letter_change *changes, size_t count,
                                   bool lenient, pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    code = pw_sqlite_end(store, change_letters(store, changes, count, lenient, err), err);
    return code == PAWL_CONFLICT ? PAWL_OK : code;
}
