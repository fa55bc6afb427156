/* undo.c - compensation plans of the SQLite store. */
#include "store/sqlite/reading.h"

/* ---- rows of a step */

/* An instant of the item, or none. */
static void bind_ended(pw_query *query, int at, pw_undo_state state, const pw_commit_item *item)
{
    if (pw_store_undo_ended(state))
        pw_bind_int(query, at, item->now_ms);
    else
        pw_bind_null(query, at);
}

int pw_sqlite_undo_put(pw_sqlite *store, const pw_commit_item *item, const pw_undo_step *u)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_UNDO_PUT);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_int(&q, 2, (int64_t)u->ordinal);
    pw_bind_text(&q, 3, u->key);
    pw_bind_text(&q, 4, u->task);
    pw_bind_int(&q, 5, (int64_t)u->visit);
    pw_bind_optional(&q, 6, u->branch);
    pw_bind_optional(&q, 7, u->child);
    pw_bind_text(&q, 8, pw_str_of(pw_undo_state_name(u->state)));
    pw_bind_int(&q, 9, item->now_ms);
    bind_ended(&q, 10, u->state, item);
    pw_bind_optional(&q, 11, u->arguments);
    pw_bind_optional(&q, 12, u->error);
    return pw_sqlite_write(store, &q, NULL);
}

int pw_sqlite_undo_change(pw_sqlite *store, pw_commit_item *item, const pw_undo_change *change)
{
    int changes = 0;
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_UNDO_CHANGE);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_int(&q, 2, (int64_t)change->ordinal);
    pw_bind_text(&q, 3, pw_str_of(pw_undo_state_name(change->state)));
    if (change->visit > 0)
        pw_bind_int(&q, 4, (int64_t)change->visit);
    else
        pw_bind_null(&q, 4);
    bind_ended(&q, 5, change->state, item);
    pw_bind_optional(&q, 6, change->error);
    int rc = pw_sqlite_write(store, &q, &changes);
    if (rc == SQLITE_OK && changes == 0)
        (void)pw_store_no_such_undo(item, change);
    return rc;
}

/* ---- reading */

static void read_undo(reading *r, pw_str instance, pw_undo_row *row)
{
    static const char table[] = "compensation";
    pw_undo_step *u = &row->step;
    u->ordinal = natural(r, 0, table, instance, "its ordinal is negative");
    u->key = text(r, 1);
    u->task = text(r, 2);
    u->visit = natural(r, 3, table, instance, "its visit is negative");
    u->branch = text(r, 4);
    u->child = text(r, 5);
    if (!pw_undo_state_parse(&u->state, text(r, 6)))
        bad_row(r, table, instance, "its state is none that this program knows");
    row->carried_out_by =
        natural(r, 7, table, instance, "the visit of what carries it out is negative");
    row->created_ms = integer(r, 8);
    row->ended_ms = pw_column_int(&r->query, 9, -1);
    u->arguments = text(r, 10);
    u->error = text(r, 11);
}

/* Those that are not over have an index. */
static bool only_left(const pw_undo_filter *filter)
{
    return filter->states != 0 && (filter->states & ~PW_STORE_UNDO_LEFT) == 0;
}

/* *states must stay until the statement has ended. */
static void bind_filter(pw_query *query, pw_str instance, const pw_undo_filter *filter,
                        pw_buf *states)
{
    pw_str names[PW_UNDO_STATE_COUNT];
    size_t count = 0;
    for (unsigned i = 0; i < PW_UNDO_STATE_COUNT; i++)
        if (filter->states & PW_BIT(i))
            names[count++] = pw_str_of(pw_undo_state_name((pw_undo_state)i));
    pw_write_array(states, names, count);
    pw_bind_text(query, 1, instance);
    pw_bind_int(query, 2, filter->below > INT64_MAX ? INT64_MAX : (int64_t)filter->below);
    pw_bind_buf(query, 4, states);
    pw_bind_optional(query, 5, filter->scope);
}

pawl_code pw_sqlite_undo(pw_store *base, pw_str instance, const pw_undo_filter *filter,
                         pw_undo_row **out, size_t *count, bool *more, pw_arena *arena,
                         pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(
        &r, base, only_left(filter) ? PW_SQLITE_SQL_UNDO_LEFT : PW_SQLITE_SQL_UNDO, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_buf states;
    bind_filter(&r.query, instance, filter, &states);
    pw_bind_int(&r.query, 3, (int64_t)filter->limit + 1); /* one more tells whether there is one */
    rows list = { .size = sizeof(pw_undo_row) };
    size_t bytes = 0;
    *more = false;
    while (!*more && next(&r)) {
        *more = list.count == filter->limit || bytes >= PW_STORE_UNDO_PAGE_BYTES;
        pw_undo_row *row = *more ? NULL : add(&r, &list);
        if (!row)
            continue;
        read_undo(&r, instance, row);
        bytes += row->step.arguments.len;
    }
    code = read_end(&r);
    pw_buf_done(&states);
    *out = list.items;
    *count = list.count;
    return code;
}

pawl_code pw_sqlite_undo_count(pw_store *base, pw_str instance, const pw_undo_filter *filter,
                               uint64_t *out, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(
        &r, base, only_left(filter) ? PW_SQLITE_SQL_UNDO_LEFT_COUNT : PW_SQLITE_SQL_UNDO_COUNT,
        NULL, err);
    if (code != PAWL_OK)
        return code;
    pw_buf states;
    bind_filter(&r.query, instance, filter, &states);
    if (next(&r))
        *out = (uint64_t)integer(&r, 0);
    code = read_end(&r);
    pw_buf_done(&states);
    return code;
}
