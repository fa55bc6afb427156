/* faults.c - incidents of the SQLite store, and the breakers of services. */
#include "store/sqlite/reading.h"

/* ---- rows of a step */

int pw_sqlite_fault_put(pw_sqlite *store, const pw_commit_item *item, const pw_fault *f)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_FAULT_PUT);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_int(&q, 2, (int64_t)item->token + 1);
    pw_bind_text(&q, 3, f->task);
    pw_bind_int(&q, 4, (int64_t)f->visit);
    pw_bind_text(&q, 5, f->kind);
    pw_bind_text(&q, 6, f->class_);
    pw_bind_int(&q, 7, f->attempt);
    pw_bind_text(&q, 8, f->decision);
    pw_bind_text(&q, 9, f->action);
    pw_bind_text(&q, 10, f->error);
    pw_bind_int(&q, 11, item->now_ms);
    pw_bind_optional(&q, 12, f->resolution);
    return pw_sqlite_write(store, &q, NULL);
}

int pw_sqlite_faults_resolve(pw_sqlite *store, pw_commit_item *item)
{
    int changes = 0;
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_FAULTS_RESOLVE);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_int(&q, 2, item->now_ms);
    pw_bind_text(&q, 3, pw_store_actor_of(item));
    pw_bind_text(&q, 4, item->transition->resolution);
    int rc = pw_sqlite_write(store, &q, &changes);
    if (rc == SQLITE_OK && changes == 0)
        (void)pw_store_no_open_incident(item);
    return rc;
}

int pw_sqlite_fault_is_open(pw_sqlite *store, pw_str instance, bool *open)
{
    int64_t is = 0;
    bool found = false;
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_FAULT_IS_OPEN);
    pw_bind_text(&q, 1, instance);
    int rc = pw_sqlite_look(store, &q, &is, &found);
    *open = is != 0;
    return rc;
}

/* ---- reading */

enum { FAULT_COLUMNS = 13 };

static void read_fault(reading *r, pw_str instance, pw_fault_row *row)
{
    static const char table[] = "fault";
    pw_fault *f = &row->fault;
    row->sequence = natural(r, 0, table, instance, "its step is negative");
    f->task = text(r, 1);
    f->visit = natural(r, 2, table, instance, "its visit is negative");
    f->kind = text(r, 3);
    f->error = text(r, 4);
    f->class_ = text(r, 5);
    f->attempt = small(r, 6, table, instance, "its attempt is out of range");
    f->decision = text(r, 7);
    f->action = text(r, 8);
    row->created_ms = integer(r, 9);
    row->resolved_ms = pw_column_int(&r->query, 10, -1);
    row->open = row->resolved_ms == -1;
    row->resolved_by = text(r, 11);
    row->resolution = text(r, 12);
}

pawl_code pw_sqlite_faults(pw_store *base, pw_str instance, pw_fault_row **out, size_t *count,
                           pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_FAULTS, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, instance);
    rows list = { .size = sizeof(pw_fault_row) };
    while (next(&r)) {
        pw_fault_row *row = add(&r, &list);
        if (row)
            read_fault(&r, instance, row);
    }
    code = read_end(&r);
    *out = list.items;
    *count = list.count;
    return code;
}

static void read_incident(reading *r, pw_incident_row *row)
{
    row->instance = text(r, FAULT_COLUMNS);
    row->namespace_ = text(r, FAULT_COLUMNS + 1);
    row->name = text(r, FAULT_COLUMNS + 2);
    row->version = text(r, FAULT_COLUMNS + 3);
    if (!pw_status_parse(&row->status, text(r, FAULT_COLUMNS + 4)))
        bad_row(r, "instance", row->instance, "its status is none that this program knows");
    read_fault(r, row->instance, &row->row);
}

/* Along which index: the one that is likely to leave the fewest. */
typedef enum way { WAY_ALL, WAY_OF, WAY_OPEN, WAY_NAME, WAY_TASK, WAY_CLASS, WAY_KIND } way;

static way choose(const pw_incident_filter *filter)
{
    if (filter->instance.len > 0)
        return WAY_OF;
    if (filter->resolved)
        return WAY_ALL;
    if (filter->name.len > 0)
        return WAY_NAME;
    if (filter->task.len > 0)
        return WAY_TASK;
    if (filter->class_.len > 0)
        return WAY_CLASS;
    return filter->kind.len > 0 ? WAY_KIND : WAY_OPEN;
}

/* What is bound must stay until the statement has ended. */
typedef struct filter_texts {
    pw_buf namespaces, labels;
} filter_texts;

static void bind_filter(pw_query *query, const pw_incident_filter *filter,
                        const pw_incident_place *behind, filter_texts *texts)
{
    pw_write_array(&texts->namespaces, filter->namespaces, filter->namespace_count);
    pw_write_labels(&texts->labels, filter->labels, filter->label_count);
    pw_bind_int(query, 1, behind->created_ms);
    pw_bind_text(query, 2, behind->instance);
    pw_bind_int(query, 3, (int64_t)behind->step);
    pw_bind_int(query, 5, filter->resolved);
    pw_bind_optional(query, 6, filter->instance);
    pw_bind_optional(query, 7, filter->namespace_);
    pw_bind_buf(query, 8, &texts->namespaces);
    pw_bind_optional(query, 9, filter->name);
    pw_bind_optional(query, 10, filter->kind);
    pw_bind_optional(query, 11, filter->class_);
    pw_bind_optional(query, 12, filter->task);
    pw_bind_optional(query, 13, filter->version);
    pw_bind_buf(query, 14, &texts->labels);
}

static void texts_done(filter_texts *texts)
{
    pw_buf_done(&texts->namespaces);
    pw_buf_done(&texts->labels);
}

pawl_code pw_sqlite_incidents(pw_store *base, const pw_incident_filter *filter,
                              const pw_incident_place *behind, uint32_t limit,
                              pw_incident_row **out, size_t *count, pw_arena *arena,
                              pawl_error *err)
{
    static const pw_sqlite_sql which[] = {
        [WAY_ALL] = PW_SQLITE_SQL_INCIDENTS,
        [WAY_OF] = PW_SQLITE_SQL_INCIDENTS_OF,
        [WAY_OPEN] = PW_SQLITE_SQL_INCIDENTS_OPEN,
        [WAY_NAME] = PW_SQLITE_SQL_INCIDENTS_OPEN_NAME,
        [WAY_TASK] = PW_SQLITE_SQL_INCIDENTS_OPEN_TASK,
        [WAY_CLASS] = PW_SQLITE_SQL_INCIDENTS_OPEN_CLASS,
        [WAY_KIND] = PW_SQLITE_SQL_INCIDENTS_OPEN_KIND,
    };
    reading r;
    pawl_code code = read_begin(&r, base, which[choose(filter)], arena, err);
    if (code != PAWL_OK)
        return code;
    filter_texts texts;
    bind_filter(&r.query, filter, behind, &texts);
    pw_bind_int(&r.query, 4, limit);
    rows list = { .size = sizeof(pw_incident_row) };
    while (next(&r)) {
        pw_incident_row *row = add(&r, &list);
        if (row)
            read_incident(&r, row);
    }
    code = read_end(&r);
    texts_done(&texts);
    *out = list.items;
    *count = list.count;
    return code;
}

pawl_code pw_sqlite_incident_count(pw_store *base, const pw_incident_filter *filter,
                                   const pw_incident_place *behind, uint64_t *out, pawl_error *err)
{
    static const pw_sqlite_sql which[] = {
        [WAY_ALL] = PW_SQLITE_SQL_INCIDENT_COUNT,
        [WAY_OF] = PW_SQLITE_SQL_INCIDENT_COUNT_OF,
        [WAY_OPEN] = PW_SQLITE_SQL_INCIDENT_COUNT_OPEN,
        [WAY_NAME] = PW_SQLITE_SQL_INCIDENT_COUNT_OPEN_NAME,
        [WAY_TASK] = PW_SQLITE_SQL_INCIDENT_COUNT_OPEN_TASK,
        [WAY_CLASS] = PW_SQLITE_SQL_INCIDENT_COUNT_OPEN_CLASS,
        [WAY_KIND] = PW_SQLITE_SQL_INCIDENT_COUNT_OPEN_KIND,
    };
    reading r;
    pawl_code code = read_begin(&r, base, which[choose(filter)], NULL, err);
    if (code != PAWL_OK)
        return code;
    filter_texts texts;
    bind_filter(&r.query, filter, behind, &texts);
    if (next(&r))
        *out = (uint64_t)integer(&r, 0);
    code = read_end(&r);
    texts_done(&texts);
    return code;
}

pawl_code pw_sqlite_incident_get(pw_store *base, pw_str instance, uint64_t step,
                                 pw_incident_row *out, pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_INCIDENT_GET, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, instance);
    pw_bind_int(&r.query, 2, (int64_t)step);
    pw_incident_row row = { .status = PW_PENDING };
    bool found = next(&r);
    if (found)
        read_incident(&r, &row);
    code = read_end(&r);
    if (code == PAWL_OK && !found)
        return pw_store_no_incident(err, instance, step);
    if (code == PAWL_OK)
        *out = row;
    return code;
}

/* ---- breakers */

static void read_breaker(reading *r, pw_breaker_record *b)
{
    static const char table[] = "breaker";
    b->service = text(r, 0);
    if (!pw_breaker_state_parse(&b->state, text(r, 1)))
        bad_row(r, table, b->service, "its state is none that this program knows");
    b->epoch = natural(r, 2, table, b->service, "its epoch is negative");
    b->open_until_ms = pw_column_int(&r->query, 3, -1);
    pw_str forced = text(r, 4);
    if (forced.len > 0 && !pw_breaker_force_parse(&b->forced, forced))
        bad_row(r, table, b->service, "it is forced to what this program does not know");
    b->probe_by = text(r, 5);
    b->probe_until_ms = pw_column_int(&r->query, 6, -1);
    b->changed_ms = integer(r, 7);
    b->changed_by = text(r, 8);
    b->reason = text(r, 9);
}

pawl_code pw_sqlite_breakers(pw_store *base, pw_breaker_record **out, size_t *count,
                             pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_BREAKERS, arena, err);
    if (code != PAWL_OK)
        return code;
    rows list = { .size = sizeof(pw_breaker_record) };
    while (next(&r)) {
        pw_breaker_record *row = add(&r, &list);
        if (row)
            read_breaker(&r, row);
    }
    code = read_end(&r);
    *out = list.items;
    *count = list.count;
    return code;
}

pawl_code pw_sqlite_breaker_get(pw_store *base, pw_str service, pw_breaker_record *out, bool *found,
                                pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_BREAKER_GET, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, service);
    *found = next(&r);
    if (*found)
        read_breaker(&r, out);
    return read_end(&r);
}

static pawl_code set_breaker(pw_sqlite *store, const pw_breaker_record *b, pawl_error *err)
{
    int changes = 0;
    pw_query q = pw_query_begin(&store->writer, b->epoch == 0 ? PW_SQLITE_SQL_BREAKER_PUT
                                                              : PW_SQLITE_SQL_BREAKER_CHANGE);
    pw_bind_text(&q, 1, b->service);
    pw_bind_text(&q, 2, pw_str_of(pw_breaker_state_name(b->state)));
    pw_bind_int(&q, 3, (int64_t)b->epoch);
    pw_bind_time(&q, 4, b->open_until_ms);
    if (b->forced == PW_BREAKER_AUTO)
        pw_bind_null(&q, 5);
    else
        pw_bind_text(&q, 5, pw_str_of(pw_breaker_force_name(b->forced)));
    pw_bind_optional(&q, 6, b->probe_by);
    pw_bind_time(&q, 7, b->probe_until_ms);
    pw_bind_int(&q, 8, b->changed_ms);
    pw_bind_text(&q, 9, b->changed_by);
    pw_bind_optional(&q, 10, b->reason);
    int rc = pw_sqlite_write(store, &q, &changes);
    if (rc != SQLITE_OK)
        return pw_sqlite_write_failed(store, rc, "store a circuit breaker", err);
    return changes > 0 ? PAWL_OK : PAWL_CONFLICT; /* not ours: nothing to commit */
}

pawl_code pw_sqlite_breaker_set(pw_store *base, const pw_breaker_record *record, bool *won,
                                pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    code = pw_sqlite_end(store, set_breaker(store, record, err), err);
    *won = code == PAWL_OK;
    return code == PAWL_CONFLICT ? PAWL_OK : code;
}
