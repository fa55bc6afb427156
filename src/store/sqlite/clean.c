/* clean.c - takes away what is old.
 *
 * What may go is looked for by a reader, which nobody waits for. Then the writer looks at each once more, since it may have
 * gone on, shows its rows to who wants them, and deletes them: one transaction, rolled back in a dry run. */
#include <stdio.h>

#include "store/sqlite/reading.h"
#include "base/json.h"

enum { LOOKED_AT = 1000 }; /* of one call: candidates */

typedef struct candidate {
    int64_t ms;
    pw_str id;
} candidate;

typedef struct cleaner {
    pw_sqlite *store;
    pw_clean *clean;
    pw_arena *arena;
    pawl_error *err;
    uint64_t found, changed; /* of the transaction; changed: rows of all tables */
} cleaner;

/* ---- may it go */

typedef struct look {
    bool there, cleaned, may, messages, steps;
    pw_str parent;
} look;

static int look_at(pw_connection *connection, pw_str id, int64_t before_ms, look *out, pw_arena *arena)
{
    pw_query q = pw_query_begin(connection, PW_SQLITE_SQL_CLEAN_LOOK);
    pw_bind_text(&q, 1, id);
    pw_bind_int(&q, 2, before_ms);
    *out = (look){ .there = pw_query_row(&q) };
    if (out->there) {
        out->cleaned = pw_column_int(&q, 0, 0) != 0;
        out->may = pw_column_int(&q, 1, 0) != 0;
        out->messages = pw_column_int(&q, 2, 0) != 0;
        out->steps = pw_column_int(&q, 3, 0) != 0;
        out->parent = pw_column_text(&q, 4, arena);
    }
    return pw_query_end(&q);
}

/* It and all above it that are still there. */
static int may_go(pw_connection *connection, pw_str id, int64_t before_ms, look *out, pw_arena *arena)
{
    int rc = look_at(connection, id, before_ms, out, arena);
    look above = *out;
    for (unsigned n = 0; rc == SQLITE_OK && out->may && above.parent.len > 0; n++) {
        rc = look_at(connection, above.parent, before_ms, &above, arena);
        if (!above.there || above.cleaned)
            break;
        out->may = above.may && n < PW_STORE_CLEAN_DEPTH;
    }
    return rc;
}

/* ---- candidates */

static pw_sqlite_sql page_of(const pw_clean *clean)
{
    switch (clean->kind) {
    case PW_CLEAN_INSTANCES:
        return PW_SQLITE_SQL_CLEAN_INSTANCES;
    case PW_CLEAN_EVENTS:
        return PW_SQLITE_SQL_CLEAN_EVENTS;
    case PW_CLEAN_STEPS:
        return clean->place.whole ? PW_SQLITE_SQL_CLEAN_STEPS_WHOLE : PW_SQLITE_SQL_CLEAN_STEPS_CLEANED;
    case PW_CLEAN_BULKS:
        return PW_SQLITE_SQL_CLEAN_BULKS;
    case PW_CLEAN_BREAKERS:
        return PW_SQLITE_SQL_CLEAN_BREAKERS;
    case PW_CLEAN_KINDS:
        break;
    }
    PW_ASSERT(false);
    return PW_SQLITE_SQL_CLEAN_INSTANCES;
}

/* Of a tombstone nothing is asked any more. */
static bool asks_family(const pw_clean *clean)
{
    return clean->kind == PW_CLEAN_INSTANCES || clean->kind == PW_CLEAN_EVENTS ||
           (clean->kind == PW_CLEAN_STEPS && clean->place.whole);
}

/* Steps of what is younger than its state is kept go, too. */
static int64_t ended_before(const pw_clean *clean)
{
    return clean->kind == PW_CLEAN_STEPS ? INT64_MAX : clean->before_ms;
}

static pawl_code read_candidates(pw_store *base, const pw_clean *clean, candidate **out, size_t *count, pw_arena *arena,
                                 pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, page_of(clean), arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_int(&r.query, 1, clean->place.ms);
    pw_bind_text(&r.query, 2, pw_str_of(clean->place.id));
    pw_bind_int(&r.query, 3, clean->before_ms);
    pw_bind_int(&r.query, 4, LOOKED_AT);
    rows list = { .size = sizeof(candidate) };
    while (next(&r)) {
        candidate *one = add(&r, &list);
        if (one)
            *one = (candidate){ integer(&r, 0), text(&r, 1) };
    }
    *out = list.items;
    *count = list.count;
    return read_end(&r);
}

/* Leaves those that may go, up to as many as are wanted; *last: that was looked at. */
static pawl_code choose(pw_sqlite *store, pw_clean *clean, candidate *list, size_t *count, candidate *last,
                        pw_arena *arena, pawl_error *err)
{
    pw_sqlite_reader *reader = NULL;
    pawl_code code = pw_sqlite_reader_take(store, &reader, err);
    if (code != PAWL_OK)
        return code;
    size_t chosen = 0, i = 0;
    int rc = SQLITE_OK;
    for (; rc == SQLITE_OK && i < *count && chosen < clean->most; i++) {
        look is = { .may = true };
        if (asks_family(clean))
            rc = may_go(&reader->connection, list[i].id, ended_before(clean), &is, arena);
        *last = list[i];
        if (is.may)
            list[chosen++] = list[i];
    }
    if (rc != SQLITE_OK)
        code = pw_sqlite_fail(&reader->connection, rc, "look for what is old", err);
    else if (arena->failed)
        code = pw_no_memory(err);
    pw_sqlite_reader_give(store, reader, rc == SQLITE_OK);
    clean->more = i < *count || *count == LOOKED_AT;
    *count = chosen;
    return code;
}

/* ---- rows that are shown before they go */

/* JSON, unless its text is none. */
static bool is_json(const char *table, const char *column)
{
    static const char *const names[] = { "labels",  "output",  "error",     "state", "entries", "cause",   "value", "candidates",
                                         "payload", "request", "arguments", "page",  "outcome", "answer" };
    bool is = false;
    for (size_t i = 0; i < PW_LENGTH(names) && !is; i++)
        is = strcmp(column, names[i]) == 0;
    return is && strcmp(table, "outbox_delivery") != 0;
}

static void write_text(pw_buf *buf, const char *table, const char *column, pw_str s)
{
    bool raw = s.len > 0 && is_json(table, column) && !memchr(s.ptr, '\n', s.len);
    if (raw) {
        pw_arena arena;
        pw_value v;
        pw_arena_init(&arena, 0);
        raw = pw_json_parse(&v, s, NULL, &arena, NULL) == PAWL_OK;
        pw_arena_done(&arena);
    }
    if (raw)
        pw_buf_str(buf, s);
    else
        pw_json_write_string(buf, s);
}

static void write_row(pw_buf *buf, const char *table, sqlite3_stmt *row)
{
    pw_buf_printf(buf, "{\"table\":\"%s\"", table);
    for (int i = 0; i < sqlite3_column_count(row); i++) {
        const char *column = sqlite3_column_name(row, i);
        const int type = sqlite3_column_type(row, i);
        if (type == SQLITE_NULL || !column)
            continue;
        pw_buf_printf(buf, ",\"%s\":", column);
        if (type == SQLITE_INTEGER)
            pw_buf_printf(buf, "%lld", (long long)sqlite3_column_int64(row, i));
        else
            write_text(buf, table, column,
                       (pw_str){ sqlite3_column_blob(row, i), (size_t)sqlite3_column_bytes(row, i) });
    }
    pw_buf_char(buf, '}');
}

/* Its parameters are bound. */
static pawl_code show(cleaner *c, pw_query *query, const char *table)
{
    pawl_code code = PAWL_OK;
    pw_buf buf;
    pw_buf_init(&buf, 0);
    while (code == PAWL_OK && pw_query_row(query)) {
        pw_buf_reset(&buf);
        write_row(&buf, table, query->statement);
        code = buf.failed ? pw_no_memory(c->err) : c->clean->row(c->clean->context, pw_buf_view(&buf), c->err);
    }
    pw_buf_done(&buf);
    int rc = pw_sqlite_looked(c->store, query);
    return code == PAWL_OK && rc != SQLITE_OK ? pw_sqlite_write_failed(c->store, rc, "export", c->err) : code;
}

/* All rows of one table that belong to it. */
static pawl_code show_of(cleaner *c, pw_sqlite_sql sql, const char *table, pw_str id)
{
    if (!c->clean->row)
        return PAWL_OK;
    pw_query q = pw_query_begin(&c->store->writer, sql);
    pw_bind_text(&q, 1, id);
    return show(c, &q, table);
}

/* ---- what goes */

static pawl_code failed(cleaner *c, int rc)
{
    return rc == SQLITE_OK ? PAWL_OK : pw_sqlite_write_failed(c->store, rc, "clean up", c->err);
}

static int change(cleaner *c, pw_sqlite_sql sql, pw_str id)
{
    pw_query q = pw_query_begin(&c->store->writer, sql);
    pw_bind_text(&q, 1, id);
    return pw_sqlite_write(c->store, &q, NULL);
}

/* The tables below an instance, but its log and payloads. */
static const struct below {
    const char *table;
    pw_sqlite_sql show, drop;
} below[] = {
    { "bookmark", PW_SQLITE_SQL_EXPORT_BOOKMARK, PW_SQLITE_SQL_CLEAN_BOOKMARK },
    { "external_call", PW_SQLITE_SQL_EXPORT_EXTERNAL_CALL, PW_SQLITE_SQL_CLEAN_EXTERNAL_CALL },
    { "compensation", PW_SQLITE_SQL_EXPORT_COMPENSATION, PW_SQLITE_SQL_CLEAN_COMPENSATION },
    { "fault", PW_SQLITE_SQL_EXPORT_FAULT, PW_SQLITE_SQL_CLEAN_FAULT },
    { "outbox_delivery", PW_SQLITE_SQL_EXPORT_OUTBOX_DELIVERY, PW_SQLITE_SQL_COUNT }, /* goes with its event */
    { "outbox", PW_SQLITE_SQL_EXPORT_OUTBOX, PW_SQLITE_SQL_CLEAN_OUTBOX },
    { "inbox", PW_SQLITE_SQL_EXPORT_INBOX, PW_SQLITE_SQL_INSTANCE_DELETE_INBOX },
    { "delivery", PW_SQLITE_SQL_EXPORT_DELIVERY, PW_SQLITE_SQL_CLEAN_DELIVERY },
};

static pw_clean_payload *read_payloads(cleaner *c, pw_str id, size_t *count, int *rc)
{
    pw_clean_payload *list = NULL;
    size_t room = 0;
    *count = 0;
    pw_query q = pw_query_begin(&c->store->writer, PW_SQLITE_SQL_CLEAN_DIGESTS);
    pw_bind_text(&q, 1, id);
    while (!c->arena->failed && pw_query_row(&q)) {
        if (*count == room) {
            size_t larger = room ? 2 * room : 16;
            list = pw_arena_grow(c->arena, list, room * sizeof *list, larger * sizeof *list);
            room = larger;
        }
        if (list)
            list[(*count)++] = (pw_clean_payload){ .digest = pw_column_text(&q, 0, c->arena) };
    }
    *rc = pw_sqlite_looked(c->store, &q);
    return list;
}

static pw_str borrowed(pw_query *q, int at)
{
    const char *bytes = sqlite3_column_blob(q->statement, at);
    return (pw_str){ bytes ? bytes : "", (size_t)sqlite3_column_bytes(q->statement, at) };
}

/* Those that steps name, and those that these name. */
static int name_payloads(cleaner *c, pw_str id, pw_clean_payload *list, size_t count)
{
    pw_query q = pw_query_begin(&c->store->writer, PW_SQLITE_SQL_CLEAN_TEXTS);
    pw_bind_text(&q, 1, id);
    while (pw_query_row(&q)) {
        pw_clean_name(list, count, borrowed(&q, 0));
        pw_clean_name(list, count, borrowed(&q, 1));
    }
    int rc = pw_sqlite_looked(c->store, &q);
    for (pw_clean_payload *p; rc == SQLITE_OK && (p = pw_clean_unread(list, count)) != NULL;) {
        q = pw_query_begin(&c->store->writer, PW_SQLITE_SQL_CLEAN_VALUE);
        pw_bind_text(&q, 1, id);
        pw_bind_text(&q, 2, p->digest);
        if (pw_query_row(&q))
            pw_clean_name(list, count, borrowed(&q, 0));
        rc = pw_sqlite_looked(c->store, &q);
    }
    return rc;
}

static pawl_code drop_payload(cleaner *c, pw_str id, pw_str digest)
{
    pawl_code code = PAWL_OK;
    pw_query q;
    if (c->clean->row) {
        q = pw_query_begin(&c->store->writer, PW_SQLITE_SQL_EXPORT_PAYLOAD);
        pw_bind_text(&q, 1, id);
        pw_bind_text(&q, 2, digest);
        code = show(c, &q, "payload");
    }
    if (code != PAWL_OK)
        return code;
    q = pw_query_begin(&c->store->writer, PW_SQLITE_SQL_CLEAN_PAYLOAD);
    pw_bind_text(&q, 1, id);
    pw_bind_text(&q, 2, digest);
    return failed(c, pw_sqlite_write(c->store, &q, NULL));
}

/* Payloads that no step names. */
static pawl_code drop_payloads(cleaner *c, pw_str id)
{
    size_t count = 0;
    int rc = SQLITE_OK;
    pw_clean_payload *list = read_payloads(c, id, &count, &rc);
    if (rc == SQLITE_OK && count > 0)
        rc = name_payloads(c, id, list, count);
    pawl_code code = failed(c, rc);
    if (code == PAWL_OK && c->arena->failed)
        code = pw_no_memory(c->err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++)
        if (!list[i].named)
            code = drop_payload(c, id, list[i].digest);
    return code;
}

/* What is left of it: the row, with all that is below it. */
static pawl_code drop_row(cleaner *c, pw_str id)
{
    pawl_code code = PAWL_OK;
    if (c->clean->row) { /* 2: all payloads */
        pw_query q = pw_query_begin(&c->store->writer, PW_SQLITE_SQL_EXPORT_PAYLOAD);
        pw_bind_text(&q, 1, id);
        pw_bind_null(&q, 2);
        code = show(c, &q, "payload");
    }
    return code == PAWL_OK ? failed(c, change(c, PW_SQLITE_SQL_INSTANCE_DELETE, id)) : code;
}

static int make_tombstone(cleaner *c, pw_str id)
{
    pw_query q = pw_query_begin(&c->store->writer, PW_SQLITE_SQL_CLEAN_TOMBSTONE);
    pw_bind_text(&q, 1, id);
    pw_bind_int(&q, 2, c->clean->now_ms);
    return pw_sqlite_write(c->store, &q, NULL);
}

static pawl_code clean_instance(cleaner *c, const candidate *one)
{
    look is;
    int rc = may_go(&c->store->writer, one->id, c->clean->before_ms, &is, c->arena);
    if (rc != SQLITE_OK || !is.may || is.cleaned)
        return failed(c, rc);
    pawl_code code = show_of(c, PW_SQLITE_SQL_EXPORT_INSTANCE, "instance", one->id);
    if (code == PAWL_OK && is.messages)
        code = failed(c, pw_sqlite_messages_forget(c->store, one->id));
    for (size_t i = 0; i < PW_LENGTH(below) && code == PAWL_OK; i++) {
        code = show_of(c, below[i].show, below[i].table, one->id);
        if (code == PAWL_OK && below[i].drop != PW_SQLITE_SQL_COUNT)
            code = failed(c, change(c, below[i].drop, one->id));
    }
    if (code == PAWL_OK)
        code = failed(c, change(c, PW_SQLITE_SQL_CLEAN_BRANCH, one->id)); /* of a state that nobody reads */
    if (code == PAWL_OK && is.steps)
        code = drop_payloads(c, one->id);
    if (code == PAWL_OK)
        code = is.steps ? failed(c, make_tombstone(c, one->id)) : drop_row(c, one->id);
    c->found++;
    return code;
}

static pawl_code clean_events(cleaner *c, const candidate *one)
{
    look is;
    int rc = may_go(&c->store->writer, one->id, c->clean->before_ms, &is, c->arena), changes = 0;
    if (rc != SQLITE_OK || !is.may)
        return failed(c, rc);
    pawl_code code = show_of(c, PW_SQLITE_SQL_EXPORT_OUTBOX_DELIVERY, "outbox_delivery", one->id);
    if (code == PAWL_OK)
        code = show_of(c, PW_SQLITE_SQL_EXPORT_OUTBOX, "outbox", one->id);
    if (code != PAWL_OK)
        return code;
    pw_query q = pw_query_begin(&c->store->writer, PW_SQLITE_SQL_CLEAN_OUTBOX);
    pw_bind_text(&q, 1, one->id);
    code = failed(c, pw_sqlite_write(c->store, &q, &changes));
    c->found += (uint64_t)changes;
    return code;
}

static pw_query of_steps(cleaner *c, pw_sqlite_sql sql, pw_str id, int64_t number)
{
    pw_query q = pw_query_begin(&c->store->writer, sql);
    pw_bind_text(&q, 1, id);
    pw_bind_int(&q, 2, c->clean->before_ms);
    if (number)
        pw_bind_int(&q, 3, number);
    return q;
}

/* A part of a long log at a time; in a dry run all of it, since it comes back. */
static pawl_code drop_steps(cleaner *c, pw_str id)
{
    const int64_t room = c->clean->dry_run ? INT64_MAX : (int64_t)(c->clean->most - c->found);
    pw_query q = of_steps(c, PW_SQLITE_SQL_CLEAN_STEP_RANGE, id, room);
    int64_t count = 0, last = 0;
    for (; pw_query_row(&q); count++)
        last = pw_column_int(&q, 0, 0);
    pawl_code code = failed(c, pw_sqlite_looked(c->store, &q));
    if (code != PAWL_OK || count == 0)
        return code;
    if (c->clean->row) {
        q = of_steps(c, PW_SQLITE_SQL_EXPORT_STEP, id, last);
        code = show(c, &q, "step");
    }
    if (code != PAWL_OK)
        return code;
    q = of_steps(c, PW_SQLITE_SQL_CLEAN_STEP, id, last);
    c->found += (uint64_t)count;
    return failed(c, pw_sqlite_write(c->store, &q, NULL));
}

static pawl_code clean_steps(cleaner *c, const candidate *one)
{
    look is;
    int rc = c->clean->place.whole ? may_go(&c->store->writer, one->id, INT64_MAX, &is, c->arena)
                                   : look_at(&c->store->writer, one->id, INT64_MAX, &is, c->arena);
    if (rc != SQLITE_OK || !is.there || (!is.cleaned && !is.may))
        return failed(c, rc);
    pawl_code code = drop_steps(c, one->id);
    if (code != PAWL_OK || !is.cleaned)
        return code;
    pw_query q = of_steps(c, PW_SQLITE_SQL_CLEAN_STEP_LEFT, one->id, 0);
    bool known = pw_query_row(&q), left = known && pw_column_int(&q, 0, 0), old = known && pw_column_int(&q, 1, 0);
    code = failed(c, pw_sqlite_looked(c->store, &q));
    if (code == PAWL_OK && !left) {
        code = show_of(c, PW_SQLITE_SQL_EXPORT_INSTANCE, "instance", one->id);
        return code == PAWL_OK ? drop_row(c, one->id) : code;
    }
    return code == PAWL_OK && !old ? drop_payloads(c, one->id) : code;
}

/* Rows that belong to nothing. */
static pawl_code clean_one(cleaner *c, const candidate *one, pw_sqlite_sql sql)
{
    int changes = 0;
    pw_query q = pw_query_begin(&c->store->writer, sql);
    pw_bind_text(&q, 1, one->id);
    pw_bind_int(&q, 2, c->clean->before_ms);
    pawl_code code = failed(c, pw_sqlite_write(c->store, &q, &changes));
    c->found += (uint64_t)changes;
    return code;
}

static pawl_code clean_bulk(cleaner *c, const candidate *one)
{
    pawl_code code = show_of(c, PW_SQLITE_SQL_EXPORT_BULK, "bulk", one->id);
    if (code == PAWL_OK)
        code = show_of(c, PW_SQLITE_SQL_EXPORT_BULK_FAILURE, "bulk_failure", one->id);
    return code == PAWL_OK ? clean_one(c, one, PW_SQLITE_SQL_CLEAN_BULK) : code;
}

static pawl_code clean_breaker(cleaner *c, const candidate *one)
{
    pawl_code code = show_of(c, PW_SQLITE_SQL_EXPORT_BREAKER, "breaker", one->id);
    return code == PAWL_OK ? clean_one(c, one, PW_SQLITE_SQL_CLEAN_BREAKER) : code;
}

/* ---- a transaction */

typedef pawl_code clean_fn(cleaner *c, const candidate *one);
static clean_fn *const ways[PW_CLEAN_KINDS] = { [PW_CLEAN_INSTANCES] = clean_instance,
                                                [PW_CLEAN_EVENTS] = clean_events,
                                                [PW_CLEAN_STEPS] = clean_steps,
                                                [PW_CLEAN_BULKS] = clean_bulk,
                                                [PW_CLEAN_BREAKERS] = clean_breaker };

/* True: enough for one transaction. */
static bool is_full(const cleaner *c)
{
    return !c->clean->dry_run && ((c->clean->kind != PW_CLEAN_INSTANCES && c->found >= c->clean->most) ||
                                  c->changed >= PW_STORE_CLEAN_ROWS(c->clean->most));
}

/* *finished: how many of them need not be looked at again. Of a log that is long, a part may have gone. */
static pawl_code clean_all(cleaner *c, const candidate *list, size_t count, size_t *finished)
{
    const int before = sqlite3_total_changes(c->store->writer.db);
    pawl_code code = PAWL_OK;
    *finished = 0;
    for (size_t i = 0; i < count && code == PAWL_OK && !is_full(c); i++) {
        code = ways[c->clean->kind](c, &list[i]);
        c->changed = (uint64_t)(sqlite3_total_changes(c->store->writer.db) - before);
        if (c->clean->kind != PW_CLEAN_STEPS || !is_full(c))
            *finished = i + 1;
    }
    if (code == PAWL_OK && c->clean->flush && c->changed > 0)
        code = c->clean->flush(c->clean->context, c->err);
    PW_FAULT("store-before-clean");
    return code;
}

static pawl_code clean_page(cleaner *c, const candidate *list, size_t count, const candidate *last)
{
    pw_clean *clean = c->clean;
    size_t finished = 0;
    pawl_code code = pw_sqlite_begin(c->store, c->err);
    if (code != PAWL_OK)
        return code;
    code = clean_all(c, list, count, &finished);
    const bool over = code == PAWL_OK && clean->dry_run;
    code = pw_sqlite_end(c->store, over ? PAWL_CONFLICT : code, c->err);
    if (code != (over ? PAWL_CONFLICT : PAWL_OK))
        return code;
    PW_FAULT("store-after-clean");
    clean->found = c->found;
    clean->rows = c->changed;
    clean->more = clean->more || finished < count;
    if (finished == count)
        pw_clean_go_on(&clean->place, last->ms, last->id);
    else if (finished > 0)
        pw_clean_go_on(&clean->place, list[finished - 1].ms, list[finished - 1].id);
    return PAWL_OK;
}

pawl_code pw_sqlite_clean(pw_store *base, pw_clean *clean, pawl_error *err)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    cleaner c = { .store = pw_sqlite_of(base), .clean = clean, .arena = &arena, .err = err };
    candidate *list = NULL, last = { 0 };
    size_t count = 0;
    pawl_code code = read_candidates(base, clean, &list, &count, &arena, err);
    const bool any = count > 0;
    if (code == PAWL_OK && any)
        code = choose(c.store, clean, list, &count, &last, &arena, err);
    if (code == PAWL_OK && count > 0)
        code = clean_page(&c, list, count, &last);
    else if (code == PAWL_OK && any)
        pw_clean_go_on(&clean->place, last.ms, last.id);
    if (code == PAWL_OK && !clean->more && clean->kind == PW_CLEAN_STEPS && !clean->place.whole) {
        clean->place = (pw_clean_place){ .whole = true };
        clean->more = true;
    }
    pw_arena_done(&arena);
    return code;
}

/* ---- room */

/* Pages at the end of the file take the place of free ones, and the file ends earlier: in one transaction, as any. The file itself
 * shrinks at the next checkpoint. A store that was made without this (schema 1) keeps its free pages, and uses them. */
pawl_code pw_sqlite_vacuum(pw_store *base, uint32_t pages, uint64_t *given, uint64_t *left, pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    char sql[64];
    int64_t before = 0, after = 0;
    (void)snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%u)", pages);
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    pw_connection *writer = &store->writer;
    code = pw_connection_pragma(writer, "PRAGMA freelist_count", &before, err);
    int rc = code == PAWL_OK && pages > 0 ? sqlite3_exec(writer->db, sql, NULL, NULL, NULL) : SQLITE_OK;
    if (rc != SQLITE_OK)
        code = pw_sqlite_write_failed(store, rc, "give room back", err);
    if (code == PAWL_OK)
        code = pw_connection_pragma(writer, "PRAGMA freelist_count", &after, err);
    code = pw_sqlite_end(store, code, err);
    if (code != PAWL_OK)
        return code;
    *given = (uint64_t)(before - after);
    *left = (uint64_t)after;
    if (after == 0 || *given == 0)
        pw_checkpointer_wake(store);
    return PAWL_OK;
}
