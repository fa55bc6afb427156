/* faults.c - what all stores have in common for incidents, calls by their key, and breakers: what
 * they refuse, what they say. */
#include "store/store_internal.h"

#define SERVICE_MAX 1024u /* bytes of a service's name */

/* ---- what is said */

pawl_code pw_store_no_open_incident(pw_commit_item *item)
{
    item->code =
        pw_fail(&item->error, PAWL_CORRUPT,
                "instance '" PW_FMT "': no incident is open that could be " PW_FMT
                ": its state and its rows do not agree",
                PW_ARG(item->instance), PW_ARG(pw_store_cut(item->transition->resolution, 50)));
    return item->code;
}

pawl_code pw_store_no_such_request(pw_commit_item *item, const pw_call_intent *intent)
{
    return pw_store_no_such_call(item,
                                 &(pw_call_outcome){ .key = intent->key, .visit = intent->visit });
}

pawl_code pw_store_no_incident(pawl_error *err, pw_str instance, uint64_t step)
{
    return pw_fail(err, PAWL_NOT_FOUND, "no incident '" PW_FMT "-%llu'",
                   PW_ARG(pw_store_cut(instance, PW_ID_MAX)), (unsigned long long)step);
}

pawl_code pw_store_open_incident(pawl_error *err, pw_str id)
{
    return pw_fail_reason(err, PAWL_STATE, PAWL_REASON_OPEN_INCIDENT,
                          "instance '" PW_FMT "' has an open incident: retry or fail it, or cancel "
                          "the instance, first",
                          PW_ARG(pw_store_cut(id, PW_ID_MAX)));
}

/* ---- calls */

pawl_code pw_store_call_get(pw_store *store, pw_str instance, pw_str key, pw_call_row *out,
                            pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, ROWS);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->call_get(store, instance, key, out, arena, err);
    return pw_store_read_leave(call, code, err);
}

/* ---- incidents */

int pw_store_incident_cmp(const pw_incident_place *a, const pw_incident_place *b)
{
    if (a->created_ms != b->created_ms)
        return a->created_ms > b->created_ms ? -1 : 1;
    int order = pw_str_cmp(b->instance, a->instance);
    return order ? order : (a->step < b->step) - (a->step > b->step);
}

pw_incident_place pw_store_incident_place(const pw_incident_row *row)
{
    return (pw_incident_place){ row->row.created_ms, row->instance, row->row.sequence };
}

/* A cursor is the place of the last row given: "1-<created_ms>-<step>-<instance>". The 1 is its
 * format. */
static bool cursor_parse(pw_incident_place *out, pw_str cursor)
{
    int64_t format = 0, step = 0;
    if (!pw_store_take_number(&format, &cursor) || format != 1 ||
        !pw_store_take_number(&out->created_ms, &cursor) || !pw_store_take_number(&step, &cursor) ||
        step < 0 || cursor.len == 0)
        return false;
    out->step = (uint64_t)step;
    out->instance = cursor;
    return true;
}

static pawl_code check_filter(const pw_incident_filter *filter, pawl_error *err)
{
    pawl_code code = pw_store_check_labels(filter->labels, filter->label_count, err);
    return code == PAWL_OK
               ? pw_store_check_namespaces(filter->namespaces, filter->namespace_count, err)
               : code;
}

/* What came up before an instant is what a list has behind it: no incident has an instance without a
 * name. */
static pw_incident_place before(const pw_incident_filter *filter, pw_incident_place behind)
{
    pw_incident_place end = { filter->until_ms, { "", 0 }, 0 };
    return filter->until_ms > 0 && pw_store_incident_cmp(&behind, &end) < 0 ? end : behind;
}

static const pw_incident_place newest = { INT64_MAX, { "", 0 }, 0 };

pawl_code pw_store_incident_count(pw_store *store, const pw_incident_filter *filter, uint64_t *out,
                                  pawl_error *err)
{
    PW_STORE_TIMED(store, LIST);
    uint64_t count = 0;
    pawl_code code = check_filter(filter, err);
    const pw_incident_place behind = before(filter, newest);
    if (code == PAWL_OK)
        code = store->ops->incident_count(store, filter, &behind, &count, err);
    if (code == PAWL_OK)
        *out = count;
    return code;
}

pawl_code pw_store_incidents(pw_store *store, const pw_incident_filter *filter,
                             pw_incident_row **out, size_t *count, pw_str *next, pw_arena *arena,
                             pawl_error *err)
{
    PW_STORE_TIMED(store, LIST);
    pw_incident_place behind = newest;
    if (filter->limit < 1 || filter->limit > PW_PAGE_MAX)
        return pw_fail(err, PAWL_INVALID, "a page has 1 to %u rows, not %u", PW_PAGE_MAX,
                       filter->limit);
    pawl_code code = check_filter(filter, err);
    if (code != PAWL_OK)
        return code;
    if (filter->after.len > 0 && !cursor_parse(&behind, filter->after))
        return pw_fail(err, PAWL_INVALID, "'" PW_FMT "' is not the \"next\" of a page before",
                       PW_ARG(pw_store_cut(filter->after, 100)));
    behind = before(filter, behind);
    pw_arena_call call = pw_store_read_enter(arena);
    pw_incident_row *rows = NULL;
    size_t got = 0;
    /* One more than asked tells whether there is a next page. */
    code =
        store->ops->incidents(store, filter, &behind, filter->limit + 1, &rows, &got, arena, err);
    pw_str cursor = { "", 0 };
    if (code == PAWL_OK && got > filter->limit) {
        got = filter->limit;
        const pw_incident_row *last = &rows[got - 1];
        cursor = pw_arena_printf(arena, "1-%lld-%llu-" PW_FMT, (long long)last->row.created_ms,
                                 (unsigned long long)last->row.sequence, PW_ARG(last->instance));
    }
    code = pw_store_read_leave(call, code, err);
    if (code != PAWL_OK)
        return code;
    *out = rows;
    *count = got;
    *next = cursor;
    return PAWL_OK;
}

pawl_code pw_store_incident_get(pw_store *store, pw_str instance, uint64_t step,
                                pw_incident_row *out, pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, ROWS);
    if (step > INT64_MAX)
        return pw_store_no_incident(err, instance, step);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->incident_get(store, instance, step, out, arena, err);
    return pw_store_read_leave(call, code, err);
}

/* ---- breakers */

pawl_code pw_store_breakers(pw_store *store, pw_breaker_record **out, size_t *count,
                            pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, BREAKER);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->breakers(store, out, count, arena, err);
    return pw_store_read_leave(call, code, err);
}

static pawl_code check_breaker(const pw_breaker_record *b, pawl_error *err)
{
    if (!pw_store_fits(b->service, 1, SERVICE_MAX))
        return pw_fail(err, PAWL_INVALID, "a service must have 1 to 1024 bytes and no NUL");
    if (!pw_store_fits(b->changed_by, 0, PW_PERSON_MAX) ||
        !pw_store_fits(b->reason, 0, PW_REASON_MAX))
        return pw_fail(err, PAWL_INVALID,
                       "service '" PW_FMT "': who changes it must have at most 512 bytes, the "
                       "reason at most 4096, and no NUL",
                       PW_ARG(pw_store_cut(b->service, 200)));
    if (b->state == PW_BREAKER_HALF_OPEN && !pw_store_fits(b->probe_by, 1, PW_NODE_ID_MAX))
        return pw_fail(err, PAWL_INVALID,
                       "service '" PW_FMT "': half open is for a node that sends the probe",
                       PW_ARG(pw_store_cut(b->service, 200)));
    if ((unsigned)b->state > PW_BREAKER_HALF_OPEN ||
        (unsigned)b->forced > PW_BREAKER_FORCED_CLOSED || b->epoch >= INT64_MAX)
        return pw_fail(err, PAWL_INVALID, "service '" PW_FMT "': no such state, or no such epoch",
                       PW_ARG(pw_store_cut(b->service, 200)));
    return PAWL_OK;
}

/* As it is stored: times and a probe only where they mean something. */
static pw_breaker_record plain(const pw_breaker_record *record)
{
    pw_breaker_record b = *record;
    if (b.state != PW_BREAKER_OPEN || b.open_until_ms < 0)
        b.open_until_ms = -1;
    if (b.state != PW_BREAKER_HALF_OPEN)
        b.probe_by = (pw_str){ "", 0 };
    if (b.state != PW_BREAKER_HALF_OPEN || b.probe_until_ms < 0)
        b.probe_until_ms = -1;
    if (b.changed_by.len == 0)
        b.changed_by = PW_LIT("system");
    return b;
}

static pawl_code set_breaker(pw_store *store, const pw_breaker_record *record, bool *won,
                             pw_breaker_record *out, pw_arena *arena, pawl_error *err)
{
    const pw_breaker_record b = plain(record);
    bool found = false;
    pw_breaker_record there = b;
    pawl_code code = store->ops->breaker_set(store, &b, won, err);
    if (code != PAWL_OK)
        return code;
    if (*won) {
        pw_str *const texts[] = { &there.service, &there.probe_by, &there.changed_by,
                                  &there.reason };
        for (size_t i = 0; i < PW_LENGTH(texts); i++)
            *texts[i] = pw_arena_str(arena, *texts[i]);
        there.epoch++;
    } else {
        code = store->ops->breaker_get(store, b.service, &there, &found, arena, err);
        if (code == PAWL_OK && !found)
            there = (pw_breaker_record){ .service = pw_arena_str(arena, b.service),
                                         .open_until_ms = -1,
                                         .probe_until_ms = -1 };
    }
    if (code == PAWL_OK)
        *out = there;
    return code;
}

pawl_code pw_store_breaker_set(pw_store *store, const pw_breaker_record *record, bool *won,
                               pw_breaker_record *out, pw_arena *arena, pawl_error *err)
{
    bool ours = false;
    pawl_code code = check_breaker(record, err);
    if (code != PAWL_OK)
        return code;
    pw_arena_call call = pw_store_read_enter(arena);
    code = set_breaker(store, record, &ours, out, arena, err);
    code = pw_store_read_leave(call, code, err);
    if (code == PAWL_OK)
        *won = ours;
    return code;
}
