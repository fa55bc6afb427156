/* read.c - what was committed, as the rows of store.h.
 *
 * Each call takes a reader, runs one statement to its end, and gives the reader back: no read
 * transaction outlives a call. What a damaged or foreign row may hold is checked here and comes
 * back as PAWL_CORRUPT with the row's name; it never stops the process. */
#include "store/sqlite/reading.h"

/* ---- definitions */

static pw_definition_status status_of(reading *r, int at, pw_str name)
{
    pw_definition_status status = PW_DEFINITION_DRAFT;
    if (!pw_definition_status_parse(&status, text(r, at)))
        bad_row(r, "definition", name, "its status is none that this program knows");
    return status;
}

pawl_code pw_sqlite_definition_get(pw_store *base, pw_str namespace_, pw_str name, pw_str version,
                                   pw_definition *out, pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_DEFINITION_GET, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, namespace_);
    pw_bind_text(&r.query, 2, name);
    pw_bind_text(&r.query, 3, version);
    bool found = next(&r);
    pw_definition d = { .level = 0 };
    if (found) {
        d.namespace_ = text(&r, 0);
        d.name = text(&r, 1);
        d.version = text(&r, 2);
        d.digest = text(&r, 3);
        d.document = text(&r, 4);
        d.level = small(&r, 5, "definition", name, "level is out of range");
        d.created_ms = integer(&r, 6);
        d.status = status_of(&r, 7, name);
        d.scheduled = integer(&r, 8) != 0;
    }
    code = read_end(&r);
    if (code == PAWL_OK && !found)
        return pw_store_not_found(err, "definition", name);
    if (code == PAWL_OK)
        *out = d;
    return code;
}

pawl_code pw_sqlite_definition_versions(pw_store *base, pw_str namespace_, pw_str name,
                                        pw_definition **out, size_t *count, pw_arena *arena,
                                        pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_DEFINITION_VERSIONS, arena, err);
    if (code != PAWL_OK)
        return code;
    rows list = { .size = sizeof(pw_definition) };
    pw_bind_optional(&r.query, 1, namespace_);
    pw_bind_text(&r.query, 2, name);
    while (next(&r)) {
        pw_definition *d = add(&r, &list);
        if (!d)
            break;
        d->namespace_ = text(&r, 0);
        d->version = text(&r, 1);
        d->status = status_of(&r, 2, name);
    }
    code = read_end(&r);
    *out = list.items;
    *count = list.count;
    return code;
}

pawl_code pw_sqlite_definition_list(pw_store *base, const pw_definition_filter *filter,
                                    const pw_definition *behind, uint32_t limit,
                                    pw_definition_row **out, size_t *count, pw_arena *arena,
                                    pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_DEFINITION_LIST, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, behind->namespace_);
    pw_bind_text(&r.query, 2, behind->name);
    pw_bind_text(&r.query, 3, behind->version);
    pw_bind_int(&r.query, 4, limit);
    pw_bind_optional(&r.query, 5, filter->namespace_);
    pw_bind_optional(&r.query, 6, filter->name);
    pw_bind_int(&r.query, 7, filter->scheduled);
    pw_buf namespaces;
    pw_write_array(&namespaces, filter->namespaces, filter->namespace_count);
    pw_bind_buf(&r.query, 8, &namespaces);
    rows list = { .size = sizeof(pw_definition_row) };
    while (next(&r)) {
        pw_definition_row *row = add(&r, &list);
        if (!row)
            break;
        pw_definition *d = &row->definition;
        d->namespace_ = text(&r, 0);
        d->name = text(&r, 1);
        d->version = text(&r, 2);
        d->digest = text(&r, 3);
        d->level = small(&r, 4, "definition", d->name, "level is out of range");
        d->created_ms = integer(&r, 5);
        d->status = status_of(&r, 6, d->name);
        row->living = natural(&r, 7, "instance", d->name, "there are fewer than none");
        d->scheduled = integer(&r, 8) != 0;
    }
    code = read_end(&r);
    pw_buf_done(&namespaces);
    *out = list.items;
    *count = list.count;
    return code;
}

/* ---- instances */

pawl_code pw_sqlite_due(pw_store *base, uint64_t partitions, int64_t until_ms, int64_t after_ms,
                        pw_str after_id, uint32_t limit, pw_due **out, size_t *count,
                        pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_DUE, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_int(&r.query, 1, until_ms);
    pw_bind_int(&r.query, 2, after_ms);
    pw_bind_text(&r.query, 3, after_id);
    pw_bind_int(&r.query, 4, limit);
    pw_bind_int(&r.query, 5, (int64_t)partitions);
    rows list = { .size = sizeof(pw_due) };
    while (next(&r)) {
        pw_due *due = add(&r, &list);
        if (!due)
            break;
        due->id = text(&r, 0);
        due->wake_at = (int64_t)natural(&r, 1, "instance", due->id, "its wake_at is negative");
    }
    code = read_end(&r);
    *out = list.items;
    *count = list.count;
    return code;
}

pawl_code pw_sqlite_next_due(pw_store *base, uint64_t partitions, int64_t until_ms, int64_t *out,
                             pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_NEXT_DUE, NULL, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_int(&r.query, 1, until_ms);
    pw_bind_int(&r.query, 2, (int64_t)partitions);
    int64_t next_ms = next(&r) ? pw_column_int(&r.query, 0, PW_WAKE_NEVER) : PW_WAKE_NEVER;
    code = read_end(&r);
    if (code == PAWL_OK)
        *out = next_ms;
    return code;
}

pawl_code pw_sqlite_steps(pw_store *base, pw_str instance, uint64_t from, uint32_t limit,
                          pw_step_row **out, size_t *count, pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_STEPS, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, instance);
    pw_bind_int(&r.query, 2, (int64_t)from);
    pw_bind_int(&r.query, 3, limit);
    rows list = { .size = sizeof(pw_step_row) };
    while (next(&r)) {
        pw_step_row *row = add(&r, &list);
        if (!row)
            break;
        row->sequence = natural(&r, 0, "step", instance, "its sequence is negative");
        row->event = text(&r, 1);
        row->actor = text(&r, 2);
        row->correlation = text(&r, 3);
        row->at_ms = integer(&r, 4);
        row->entries = text(&r, 5);
        row->epoch = natural(&r, 6, "step", instance, "its epoch is negative");
        row->nonce = (uint64_t)integer(&r, 7);
        row->cause = text(&r, 8);
    }
    code = read_end(&r);
    *out = list.items;
    *count = list.count;
    return code;
}

/* ---- what an instance has open */

pawl_code pw_sqlite_payload_get(pw_store *base, pw_str instance, pw_str digest, pw_str *out,
                                pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_PAYLOAD_GET, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, instance);
    pw_bind_text(&r.query, 2, digest);
    bool found = next(&r);
    pw_str value = found ? text(&r, 0) : (pw_str){ "", 0 };
    code = read_end(&r);
    if (code == PAWL_OK && !found)
        return pw_store_not_found(err, "payload", digest);
    if (code == PAWL_OK)
        *out = value;
    return code;
}

static bool call_state_parse(pw_call_state *out, pw_str name)
{
    for (unsigned state = PW_CALL_PENDING; state <= PW_CALL_UNKNOWN; state++) {
        if (pw_str_is(name, pw_call_state_name((pw_call_state)state))) {
            *out = (pw_call_state)state;
            return true;
        }
    }
    return false;
}

static void read_call(reading *r, pw_str instance, pw_call_row *row)
{
    static const char table[] = "external_call";
    pw_call_intent *c = &row->intent;
    c->task = text(r, 0);
    c->visit = natural(r, 1, table, instance, "its visit is negative");
    c->attempt = small(r, 2, table, instance, "its attempt is out of range");
    c->kind = text(r, 3);
    c->endpoint = text(r, 4);
    c->method = text(r, 5);
    c->request = text(r, 6);
    c->key = text(r, 7);
    c->timeout_ms = natural(r, 8, table, instance, "its timeout is negative");
    if (!call_state_parse(&row->state, text(r, 9)))
        bad_row(r, table, instance, "its state is none that this program knows");
    row->attempts = small(r, 10, table, instance, "its attempts are out of range");
    row->outcome = text(r, 11);
    row->created_ms = integer(r, 12);
    row->ended_ms = pw_column_int(&r->query, 13, -1);
    row->duration_ms = natural(r, 14, table, instance, "its duration is negative");
}

pawl_code pw_sqlite_calls(pw_store *base, pw_str instance, bool pending_only, pw_call_row **out,
                          size_t *count, pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(
        &r, base, pending_only ? PW_SQLITE_SQL_CALLS_PENDING : PW_SQLITE_SQL_CALLS, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, instance);
    rows list = { .size = sizeof(pw_call_row) };
    while (next(&r)) {
        pw_call_row *row = add(&r, &list);
        if (row)
            read_call(&r, instance, row);
    }
    code = read_end(&r);
    *out = list.items;
    *count = list.count;
    return code;
}

pawl_code pw_sqlite_call_get(pw_store *base, pw_str instance, pw_str key, pw_call_row *out,
                             pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_CALL_GET, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, instance);
    pw_bind_text(&r.query, 2, key);
    pw_call_row row = { .state = PW_CALL_PENDING };
    bool found = next(&r);
    if (found)
        read_call(&r, instance, &row);
    code = read_end(&r);
    if (code == PAWL_OK && !found)
        return pw_store_not_found(err, "call", key);
    if (code == PAWL_OK)
        *out = row;
    return code;
}

pawl_code pw_sqlite_outbox(pw_store *base, pw_str instance, int64_t step, int64_t ordinal,
                           uint32_t limit, pw_outbox_row **out, size_t *count, pw_arena *arena,
                           pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_OUTBOX, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, instance);
    pw_bind_int(&r.query, 2, step);
    pw_bind_int(&r.query, 3, ordinal);
    pw_bind_int(&r.query, 4, limit);
    rows list = { .size = sizeof(pw_outbox_row) };
    while (next(&r)) {
        pw_outbox_row *row = add(&r, &list);
        if (!row)
            break;
        row->instance = text(&r, 0);
        row->sequence = natural(&r, 1, "outbox", instance, "its step is negative");
        uint64_t at = natural(&r, 2, "outbox", instance, "its ordinal is negative");
        row->event.id = pw_arena_printf(arena, PW_FMT "-%llu-%llu", PW_ARG(row->instance),
                                        (unsigned long long)row->sequence, (unsigned long long)at);
        row->event.type = text(&r, 3);
        row->event.source = text(&r, 4);
        row->event.payload = text(&r, 5);
        row->created_ms = integer(&r, 6);
    }
    code = read_end(&r);
    *out = list.items;
    *count = list.count;
    return code;
}

/* ---- inbox */

static void read_inbox(reading *r, pw_inbox_row *row)
{
    row->target = text(r, 0);
    row->key = text(r, 1);
    row->kind = text(r, 2);
    row->payload = text(r, 3);
    row->actor = text(r, 4);
    row->answer = text(r, 5);
    row->created_ms = integer(r, 6);
    row->consumed_step = natural(r, 7, "inbox", row->target, "its step is negative");
}

pawl_code pw_sqlite_inbox_get(pw_store *base, pw_str target, pw_str key, pw_inbox_row *out,
                              pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_INBOX_GET, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, target);
    pw_bind_text(&r.query, 2, key);
    pw_inbox_row row = { .created_ms = 0 };
    bool found = next(&r);
    if (found)
        read_inbox(&r, &row);
    code = read_end(&r);
    if (code == PAWL_OK && !found)
        return pw_store_not_found(err, "command", key);
    if (code == PAWL_OK)
        *out = row;
    return code;
}

pawl_code pw_sqlite_inbox_pending(pw_store *base, uint64_t partitions, uint32_t limit,
                                  pw_inbox_row **out, size_t *count, pw_arena *arena,
                                  pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_INBOX_PENDING, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_int(&r.query, 1, limit);
    pw_bind_int(&r.query, 2, (int64_t)partitions);
    rows list = { .size = sizeof(pw_inbox_row) };
    while (next(&r)) {
        pw_inbox_row *row = add(&r, &list);
        if (row)
            read_inbox(&r, row);
    }
    code = read_end(&r);
    *out = list.items;
    *count = list.count;
    return code;
}

/* ---- partitions */

pawl_code pw_sqlite_partition_node(pw_store *base, uint32_t partition, pw_str *out, pw_arena *arena,
                                   pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_PARTITION_NODE, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_int(&r.query, 1, partition);
    pw_str node = next(&r) ? text(&r, 0) : (pw_str){ "", 0 };
    code = read_end(&r);
    if (code == PAWL_OK)
        *out = node;
    return code;
}
