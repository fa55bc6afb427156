/* instances.c - finding, counting and deleting instances.
 *
 * Every filter works with every other. Which index a list or a count runs along is chosen by the
 * filter that is likely to leave the fewest: what the others leave out is read and dropped. */
#include "store/sqlite/reading.h"
#include "base/json.h"

/* ---- rows */

static void read_instance(reading *r, pw_instance_row *row)
{
    static const char table[] = "instance";
    row->id = text(r, 0);
    row->namespace_ = text(r, 1);
    row->name = text(r, 2);
    row->version = text(r, 3);
    pw_str status = text(r, 4);
    if (!pw_status_parse(&row->status, status))
        bad_row(r, table, row->id, "its status is none that this program knows");
    row->token = natural(r, 5, table, row->id, "its token is negative");
    row->business_key = text(r, 6);
    row->input_digest = text(r, 7);
    row->correlation = text(r, 8);
    row->labels = text(r, 9);
    row->parent = text(r, 10);
    row->schedule = integer(r, 11) != 0;
    row->created_ms = integer(r, 12);
    row->updated_ms = integer(r, 13);
    row->ended_ms = pw_column_int(&r->query, 14, -1);
    row->wake_at = pw_column_int(&r->query, 15, PW_WAKE_NEVER);
    if (row->wake_at < 0 && row->wake_at != PW_WAKE_NEVER)
        bad_row(r, table, row->id, "its wake_at is negative");
    row->output = text(r, 16);
    row->error = text(r, 17);
    row->trace = text(r, 18);
    row->cleaned_ms = integer(r, 19);
}

pawl_code pw_sqlite_instance_get(pw_store *base, pw_str id, bool with_state, pw_instance_row *out,
                                 pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_INSTANCE_GET, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, id);
    pw_bind_int(&r.query, 2, with_state);
    pw_instance_row row = { .token = 0 };
    bool found = next(&r);
    if (found) {
        read_instance(&r, &row);
        row.state = text(&r, 20);
        row.branches = text(&r, 21);
    }
    code = read_end(&r);
    if (code == PAWL_OK && !found)
        return pw_store_not_found(err, "instance", id);
    if (code == PAWL_OK)
        *out = row;
    return code;
}

/* ---- along which index */

typedef enum way {
    WAY_ALL,
    WAY_STATUS,
    WAY_NAME,
    WAY_SCHEDULES,
    WAY_PARENT,
    WAY_KEY,
    WAY_CORRELATION,
    WAY_LABEL
} way;

static way choose(const pw_instance_filter *filter)
{
    if (filter->parent.len > 0)
        return WAY_PARENT;
    if (filter->business_key.len > 0)
        return WAY_KEY;
    if (filter->correlation.len > 0)
        return WAY_CORRELATION;
    if (filter->label_count > 0)
        return WAY_LABEL;
    if (filter->schedules)
        return WAY_SCHEDULES;
    if (filter->by_status)
        return WAY_STATUS;
    return filter->name.len > 0 ? WAY_NAME : WAY_ALL;
}

/* What is bound must stay until the statement has ended. */
typedef struct filter_texts {
    pw_buf namespaces, labels;
} filter_texts;

static void bind_filter(pw_query *query, const pw_instance_filter *filter, filter_texts *texts)
{
    pw_bind_optional(query, 4, filter->name);
    if (filter->by_status)
        pw_bind_text(query, 5, pw_str_of(pw_status_name(filter->status)));
    else
        pw_bind_null(query, 5);
    pw_bind_optional(query, 6, filter->parent);
    pw_bind_optional(query, 7, filter->business_key);
    pw_bind_optional(query, 8, filter->correlation);
    pw_bind_optional(query, 9, filter->label_count ? filter->labels[0].name : (pw_str){ "", 0 });
    pw_bind_text(query, 10, filter->label_count ? filter->labels[0].value : (pw_str){ "", 0 });
    pw_bind_int(query, 11, filter->schedules);
    pw_bind_optional(query, 12, filter->namespace_);
    pw_write_labels(&texts->labels, filter->labels, filter->label_count);
    pw_bind_buf(query, 13, &texts->labels);
    pw_bind_int(query, 14, filter->living);
    pw_write_array(&texts->namespaces, filter->namespaces, filter->namespace_count);
    pw_bind_buf(query, 15, &texts->namespaces);
}

static void texts_done(filter_texts *texts)
{
    pw_buf_done(&texts->namespaces);
    pw_buf_done(&texts->labels);
}

pawl_code pw_sqlite_instance_list(pw_store *base, const pw_instance_filter *filter,
                                  int64_t created_ms, pw_str id, uint32_t limit,
                                  pw_instance_row **out, size_t *count, pw_arena *arena,
                                  pawl_error *err)
{
    static const pw_sqlite_sql which[] = {
        [WAY_ALL] = PW_SQLITE_SQL_INSTANCE_LIST,
        [WAY_STATUS] = PW_SQLITE_SQL_INSTANCE_LIST_STATUS,
        [WAY_NAME] = PW_SQLITE_SQL_INSTANCE_LIST_NAME,
        [WAY_SCHEDULES] = PW_SQLITE_SQL_INSTANCE_LIST_SCHEDULES,
        [WAY_PARENT] = PW_SQLITE_SQL_INSTANCE_LIST_PARENT,
        [WAY_KEY] = PW_SQLITE_SQL_INSTANCE_LIST_BUSINESS_KEY,
        [WAY_CORRELATION] = PW_SQLITE_SQL_INSTANCE_LIST_CORRELATION,
        [WAY_LABEL] = PW_SQLITE_SQL_INSTANCE_LIST_LABEL,
    };
    reading r;
    pawl_code code = read_begin(&r, base, which[choose(filter)], arena, err);
    if (code != PAWL_OK)
        return code;
    filter_texts texts;
    pw_bind_int(&r.query, 1, created_ms);
    pw_bind_text(&r.query, 2, id);
    pw_bind_int(&r.query, 3, limit);
    bind_filter(&r.query, filter, &texts);
    rows list = { .size = sizeof(pw_instance_row) };
    while (next(&r)) {
        pw_instance_row *row = add(&r, &list);
        if (row)
            read_instance(&r, row);
    }
    code = read_end(&r);
    texts_done(&texts);
    *out = list.items;
    *count = list.count;
    return code;
}

pawl_code pw_sqlite_instance_count(pw_store *base, const pw_instance_filter *filter,
                                   uint64_t *counts, pawl_error *err)
{
    static const pw_sqlite_sql which[] = {
        [WAY_ALL] = PW_SQLITE_SQL_INSTANCE_COUNT,
        [WAY_STATUS] = PW_SQLITE_SQL_INSTANCE_COUNT,
        [WAY_NAME] = PW_SQLITE_SQL_INSTANCE_COUNT_NAME,
        [WAY_SCHEDULES] = PW_SQLITE_SQL_INSTANCE_COUNT_SCHEDULES,
        [WAY_PARENT] = PW_SQLITE_SQL_INSTANCE_COUNT_PARENT,
        [WAY_KEY] = PW_SQLITE_SQL_INSTANCE_COUNT_BUSINESS_KEY,
        [WAY_CORRELATION] = PW_SQLITE_SQL_INSTANCE_COUNT_CORRELATION,
        [WAY_LABEL] = PW_SQLITE_SQL_INSTANCE_COUNT_LABEL,
    };
    reading r;
    pw_arena arena; /* for the names of statuses */
    pw_arena_init(&arena, 0);
    const way chosen = choose(filter);
    const pw_sqlite_sql sql =
        chosen == WAY_ALL && filter->living ? PW_SQLITE_SQL_INSTANCE_COUNT_LIVING : which[chosen];
    pawl_code code = read_begin(&r, base, sql, &arena, err);
    if (code != PAWL_OK)
        return code;
    filter_texts texts;
    bind_filter(&r.query, filter, &texts);
    while (next(&r)) {
        pw_status status = PW_PENDING;
        pw_str name = text(&r, 0);
        if (!pw_status_parse(&status, name))
            bad_row(&r, "instance", name, "its status is none that this program knows");
        counts[status] = natural(&r, 1, "instance", name, "there are fewer than none");
    }
    code = read_end(&r);
    texts_done(&texts);
    pw_arena_done(&arena);
    return code;
}

/* ---- labels */

int pw_sqlite_labels_put(pw_sqlite *store, pw_commit_item *item)
{
    pw_arena arena;
    pw_label *labels = NULL;
    size_t count = 0;
    pw_arena_init(&arena, 0);
    int rc = pw_store_labels(&labels, &count, item, &arena) ? SQLITE_OK : SQLITE_NOMEM;
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
        pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_LABEL_PUT);
        pw_bind_text(&q, 1, item->instance);
        pw_bind_text(&q, 2, labels[i].name);
        pw_bind_text(&q, 3, labels[i].value);
        pw_bind_int(&q, 4, item->now_ms);
        rc = pw_sqlite_write(store, &q, NULL);
    }
    pw_arena_done(&arena);
    return rc;
}

/* ---- deleting */

static int change(pw_sqlite *store, pw_sqlite_sql sql, pw_str id)
{
    pw_query q = pw_query_begin(&store->writer, sql);
    pw_bind_text(&q, 1, id);
    return pw_sqlite_write(store, &q, NULL);
}

int pw_sqlite_messages_forget(pw_sqlite *store, pw_str id)
{
    int rc = change(store, PW_SQLITE_SQL_INSTANCE_DELETE_TAKEN, id);
    if (rc == SQLITE_OK)
        rc = change(store, PW_SQLITE_SQL_INSTANCE_DELETE_GIVEN_BACK, id);
    return rc == SQLITE_OK ? change(store, PW_SQLITE_SQL_INSTANCE_DELETE_FREED, id) : rc;
}

static int delete_all(pw_sqlite *store, pw_str id, bool messages)
{
    int rc = messages ? pw_sqlite_messages_forget(store, id) : SQLITE_OK;
    if (rc == SQLITE_OK)
        rc = change(store, PW_SQLITE_SQL_INSTANCE_DELETE_INBOX, id);
    return rc == SQLITE_OK ? change(store, PW_SQLITE_SQL_INSTANCE_DELETE, id) : rc;
}

static pawl_code delete_instance(pw_sqlite *store, pw_str id, uint64_t token, pawl_error *err)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_INSTANCE_DELETE_LOOK);
    pw_bind_text(&q, 1, id);
    bool found = pw_query_row(&q);
    uint64_t now_at = found ? (uint64_t)pw_column_int(&q, 0, 0) : 0;
    bool ended = found && pw_column_int(&q, 1, 0), messages = found && pw_column_int(&q, 2, 0);
    bool incident = found && pw_column_int(&q, 3, 0);
    bool unpublished = found && pw_column_int(&q, 4, 0);
    int rc = pw_sqlite_looked(store, &q);
    if (rc == SQLITE_OK && !found)
        return pw_store_not_found(err, "instance", id);
    if (rc == SQLITE_OK && token != 0 && token != now_at)
        return pw_store_moved_on(err, id, token);
    if (rc == SQLITE_OK && !ended)
        return pw_store_not_ended(err, id);
    if (rc == SQLITE_OK && incident)
        return pw_store_open_incident(err, id);
    if (rc == SQLITE_OK && unpublished)
        return pw_store_unpublished(err, id);
    if (rc == SQLITE_OK)
        rc = delete_all(store, id, messages);
    return rc == SQLITE_OK ? PAWL_OK : pw_sqlite_write_failed(store, rc, "delete an instance", err);
}

pawl_code pw_sqlite_instance_delete(pw_store *base, pw_str id, uint64_t token, pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    return pw_sqlite_end(store, delete_instance(store, id, token, err), err);
}
