/* bulk.c - bulk operations of the SQLite store. */
#include "store/sqlite/reading.h"

/* ---- writing */

static int put_failures(pw_sqlite *store, const pw_bulk *b, const pw_bulk_failure *failures,
                        size_t count, uint64_t first)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; i < count && rc == SQLITE_OK; i++) {
        pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_BULK_FAILURE_PUT);
        pw_bind_text(&q, 1, b->id);
        pw_bind_int(&q, 2, (int64_t)(first + i));
        pw_bind_text(&q, 3, failures[i].instance);
        pw_bind_text(&q, 4, failures[i].code);
        pw_bind_text(&q, 5, failures[i].message);
        rc = pw_sqlite_write(store, &q, NULL);
    }
    return rc;
}

static pawl_code set_bulk(pw_sqlite *store, const pw_bulk *b, const pw_bulk_failure *failures,
                          size_t count, uint64_t first, pawl_error *err)
{
    int changes = 0;
    pw_query q = pw_query_begin(&store->writer,
                                b->epoch == 0 ? PW_SQLITE_SQL_BULK_PUT : PW_SQLITE_SQL_BULK_CHANGE);
    pw_bind_text(&q, 1, b->id);
    pw_bind_text(&q, 2, b->request);
    pw_bind_text(&q, 3, b->actor);
    pw_bind_int(&q, 4, b->created_ms);
    pw_bind_int(&q, 5, (int64_t)b->epoch);
    pw_bind_text(&q, 6, pw_str_of(pw_bulk_state_name(b->state)));
    pw_bind_optional(&q, 7, b->cursor);
    pw_bind_optional(&q, 8, b->page);
    pw_bind_int(&q, 9, (int64_t)b->counted);
    pw_bind_int(&q, 10, (int64_t)b->done);
    pw_bind_int(&q, 11, (int64_t)b->skipped);
    pw_bind_int(&q, 12, (int64_t)b->failed);
    pw_bind_optional(&q, 13, b->node);
    pw_bind_time(&q, 14, b->lease_ms);
    pw_bind_int(&q, 15, b->changed_ms);
    pw_bind_time(&q, 16, b->ended_ms);
    pw_bind_optional(&q, 17, b->stopped_by);
    int rc = pw_sqlite_write(store, &q, &changes);
    if (rc == SQLITE_OK && changes == 0)
        return PAWL_CONFLICT; /* not ours: nothing to commit */
    if (rc == SQLITE_OK)
        rc = put_failures(store, b, failures, count, first);
    return rc == SQLITE_OK ? PAWL_OK
                           : pw_sqlite_write_failed(store, rc, "store a bulk operation", err);
}

pawl_code pw_sqlite_bulk_set(pw_store *base, const pw_bulk *bulk, const pw_bulk_failure *failures,
                             size_t count, uint64_t first, bool *won, pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    code = pw_sqlite_end(store, set_bulk(store, bulk, failures, count, first, err), err);
    *won = code == PAWL_OK;
    return code == PAWL_CONFLICT ? PAWL_OK : code;
}

/* ---- reading */

static void read_bulk(reading *r, pw_bulk *b)
{
    static const char table[] = "bulk", count[] = "a count is negative";
    b->id = text(r, 0);
    b->request = text(r, 1);
    b->actor = text(r, 2);
    b->created_ms = integer(r, 3);
    b->epoch = natural(r, 4, table, b->id, "its epoch is negative");
    if (!pw_bulk_state_parse(&b->state, text(r, 5)))
        bad_row(r, table, b->id, "its state is none that this program knows");
    b->cursor = text(r, 6);
    b->page = text(r, 7);
    b->counted = natural(r, 8, table, b->id, count);
    b->done = natural(r, 9, table, b->id, count);
    b->skipped = natural(r, 10, table, b->id, count);
    b->failed = natural(r, 11, table, b->id, count);
    b->node = text(r, 12);
    b->lease_ms = pw_column_int(&r->query, 13, -1);
    b->changed_ms = integer(r, 14);
    b->ended_ms = pw_column_int(&r->query, 15, -1);
    b->stopped_by = text(r, 16);
}

static pawl_code get_bulk(pw_store *base, pw_str id, pw_bulk *out, pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_BULK_GET, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, id);
    bool found = next(&r);
    if (found)
        read_bulk(&r, out);
    code = read_end(&r);
    return code == PAWL_OK && !found ? pw_store_no_bulk(err, id) : code;
}

pawl_code pw_sqlite_bulk_get(pw_store *base, pw_str id, pw_bulk *out, pw_bulk_failure **failures,
                             size_t *count, pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = get_bulk(base, id, out, arena, err);
    if (code != PAWL_OK || !failures)
        return code;
    code = read_begin(&r, base, PW_SQLITE_SQL_BULK_FAILURES, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, id);
    rows list = { .size = sizeof(pw_bulk_failure) };
    while (next(&r)) {
        pw_bulk_failure *row = add(&r, &list);
        if (row)
            *row = (pw_bulk_failure){ text(&r, 0), text(&r, 1), text(&r, 2) };
    }
    code = read_end(&r);
    *failures = list.items;
    *count = list.count;
    return code;
}

pawl_code pw_sqlite_bulks(pw_store *base, bool at_work, int64_t created_ms, pw_str id,
                          uint32_t limit, pw_bulk **out, size_t *count, pw_arena *arena,
                          pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(
        &r, base, at_work ? PW_SQLITE_SQL_BULKS_AT_WORK : PW_SQLITE_SQL_BULKS, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_int(&r.query, 1, created_ms);
    pw_bind_text(&r.query, 2, id);
    pw_bind_int(&r.query, 3, limit);
    rows list = { .size = sizeof(pw_bulk) };
    while (next(&r)) {
        pw_bulk *row = add(&r, &list);
        if (row)
            read_bulk(&r, row);
    }
    code = read_end(&r);
    *out = list.items;
    *count = list.count;
    return code;
}
