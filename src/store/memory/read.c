/* read.c - what is in the memory store, copied into the caller's arena. */
#include <stdlib.h>

#include "store/memory/reading.h"

pawl_code pw_memory_definition_get(pw_store *base, pw_str namespace_, pw_str name, pw_str version,
                                   pw_definition *out, pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    pthread_mutex_lock(&m->lock);
    pw_definition key = { .namespace_ = namespace_, .name = name, .version = version };
    bool found = false;
    size_t at = pw_mem_find(&m->definitions, pw_mem_compare_definition, &key, &found);
    return give_one(m, &pw_mem_definition_shape, out, found ? m->definitions.items[at] : NULL,
                    "definition", name, arena, err);
}

pawl_code pw_memory_definition_versions(pw_store *base, pw_str namespace_, pw_str name,
                                        pw_definition **out, size_t *count, pw_arena *arena,
                                        pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &pw_mem_definition_shape, .arena = arena };
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->definitions.count; i++) {
        const pw_definition *d = m->definitions.items[i];
        if (pw_str_eq(d->name, name) &&
            (namespace_.len == 0 || pw_str_eq(d->namespace_, namespace_)))
            (void)add(&r, d);
    }
    return give(m, &r, out, count, err);
}

static uint64_t living_of(const pw_memory *m, const pw_definition *d)
{
    uint64_t living = 0;
    for (size_t i = 0; i < m->instances.count; i++) {
        const pw_instance_row *row = pw_mem_row_of(m->instances.items[i]);
        living += !pw_status_ended(row->status) && !row->schedule &&
                  pw_str_eq(row->namespace_, d->namespace_) && pw_str_eq(row->name, d->name) &&
                  pw_str_eq(row->version, d->version);
    }
    return living;
}

pawl_code pw_memory_definition_list(pw_store *base, const pw_definition_filter *filter,
                                    const pw_definition *behind, uint32_t limit,
                                    pw_definition_row **out, size_t *count, pw_arena *arena,
                                    pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &pw_mem_definition_row_shape, .arena = arena };
    pthread_mutex_lock(&m->lock);
    bool found = false;
    size_t at = pw_mem_find(&m->definitions, pw_mem_compare_definition, behind, &found);
    for (size_t i = found ? at + 1 : at; i < m->definitions.count && r.count < limit; i++) {
        const pw_definition *d = m->definitions.items[i];
        if ((filter->namespace_.len > 0 && !pw_str_eq(d->namespace_, filter->namespace_)) ||
            (filter->name.len > 0 && !pw_str_eq(d->name, filter->name)) ||
            (filter->scheduled && !d->scheduled) ||
            !one_of(filter->namespaces, filter->namespace_count, d->namespace_))
            continue;
        pw_definition_row row = { .definition = *d, .living = living_of(m, d) };
        row.definition.document = (pw_str){ "", 0 };
        (void)add(&r, &row);
    }
    return give(m, &r, out, count, err);
}

static int earliest_first(const void *a, const void *b)
{
    const pw_due *x = a, *y = b;
    if (x->wake_at != y->wake_at)
        return x->wake_at < y->wake_at ? -1 : 1;
    return pw_str_cmp(x->id, y->id);
}

static const pw_mem_shape due_shape = SHAPE(pw_due, IN(pw_due, id));

pawl_code pw_memory_due(pw_store *base, uint64_t partitions, int64_t until_ms, int64_t after_ms,
                        pw_str after_id, uint32_t limit, pw_due **out, size_t *count,
                        pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &due_shape, .arena = arena };
    pw_due after = { after_id, after_ms };
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->instances.count; i++) {
        const pw_instance_row *row = pw_mem_row_of(m->instances.items[i]);
        pw_due due = { row->id, row->wake_at };
        if (row->wake_at != PW_WAKE_NEVER && row->wake_at <= until_ms &&
            earliest_first(&after, &due) < 0 && among(partitions, row->id))
            (void)add(&r, &due);
    }
    if (r.count > 1)
        qsort(r.items, r.count, sizeof(pw_due), earliest_first);
    r.count = r.count > limit ? limit : r.count;
    return give(m, &r, out, count, err);
}

pawl_code pw_memory_next_due(pw_store *base, uint64_t partitions, int64_t until_ms, int64_t *out,
                             pawl_error *err)
{
    (void)err;
    pw_memory *m = pw_memory_of(base);
    int64_t next = PW_WAKE_NEVER;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->instances.count; i++) {
        const pw_instance_row *row = pw_mem_row_of(m->instances.items[i]);
        if (row->wake_at != PW_WAKE_NEVER && row->wake_at > until_ms &&
            (next == PW_WAKE_NEVER || row->wake_at < next) && among(partitions, row->id))
            next = row->wake_at;
    }
    pthread_mutex_unlock(&m->lock);
    *out = next;
    return PAWL_OK;
}

pawl_code pw_memory_steps(pw_store *base, pw_str id, uint64_t from, uint32_t limit,
                          pw_step_row **out, size_t *count, pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &pw_mem_step_shape, .arena = arena };
    pthread_mutex_lock(&m->lock);
    const pw_mem_instance *in = pw_mem_instance_of(m, id);
    for (size_t i = 0; in && i < in->steps.count && r.count < limit; i++) {
        const pw_step_row *row = in->steps.items[i];
        if (row->sequence >= from)
            (void)add(&r, row);
    }
    return give(m, &r, out, count, err);
}

pawl_code pw_memory_payload_get(pw_store *base, pw_str id, pw_str digest, pw_str *out,
                                pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    pw_payload row = { .digest = digest };
    bool found = false;
    pthread_mutex_lock(&m->lock);
    const pw_mem_instance *in = pw_mem_instance_of(m, id);
    size_t at = in ? pw_mem_find(&in->payloads, pw_mem_compare_payload, &digest, &found) : 0;
    pawl_code code = give_one(m, &pw_mem_payload_shape, &row, found ? in->payloads.items[at] : NULL,
                              "payload", digest, arena, err);
    if (code == PAWL_OK)
        *out = row.text;
    return code;
}

static int by_visit(const void *a, const void *b)
{
    const pw_call_intent *x = &((const pw_call_row *)a)->intent,
                         *y = &((const pw_call_row *)b)->intent;
    int order = pw_mem_by_number(x->visit, y->visit);
    return order ? order : pw_str_cmp(x->key, y->key);
}

pawl_code pw_memory_calls(pw_store *base, pw_str id, bool pending_only, pw_call_row **out,
                          size_t *count, pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &pw_mem_call_shape, .arena = arena };
    pthread_mutex_lock(&m->lock);
    const pw_mem_instance *in = pw_mem_instance_of(m, id);
    for (size_t i = 0; in && i < in->calls.count; i++) {
        const pw_call_row *row = in->calls.items[i];
        if (row->state == PW_CALL_PENDING || !pending_only)
            (void)add(&r, row);
    }
    if (r.count > 1)
        qsort(r.items, r.count, sizeof(pw_call_row), by_visit);
    return give(m, &r, out, count, err);
}

pawl_code pw_memory_call_get(pw_store *base, pw_str id, pw_str key, pw_call_row *out,
                             pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    bool found = false;
    pthread_mutex_lock(&m->lock);
    const pw_mem_instance *in = pw_mem_instance_of(m, id);
    size_t at = in ? pw_mem_find(&in->calls, pw_mem_compare_call, &key, &found) : 0;
    return give_one(m, &pw_mem_call_shape, out, found ? in->calls.items[at] : NULL, "call", key,
                    arena, err);
}

pawl_code pw_memory_outbox(pw_store *base, pw_str id, int64_t step, int64_t ordinal, uint32_t limit,
                           pw_outbox_row **out, size_t *count, pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &pw_mem_outbox_shape, .arena = arena };
    pw_mem_place after = { id, (uint64_t)step, ordinal };
    pthread_mutex_lock(&m->lock);
    const pw_mem_instance *in = pw_mem_instance_of(m, id);
    for (size_t i = 0; in && i < in->outbox.count && r.count < limit; i++) {
        if (pw_mem_compare_outbox(in->outbox.items[i], &after) > 0)
            (void)add(&r, in->outbox.items[i]);
    }
    return give(m, &r, out, count, err);
}

pawl_code pw_memory_inbox_get(pw_store *base, pw_str target, pw_str key, pw_inbox_row *out,
                              pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    pw_inbox_row place = { .target = target, .key = key };
    bool found = false;
    pthread_mutex_lock(&m->lock);
    size_t at = pw_mem_find(&m->inbox, pw_mem_compare_inbox, &place, &found);
    return give_one(m, &pw_mem_inbox_shape, out, found ? m->inbox.items[at] : NULL, "command", key,
                    arena, err);
}

static int oldest_first(const void *a, const void *b)
{
    const pw_inbox_row *x = a, *y = b;
    if (x->created_ms != y->created_ms)
        return x->created_ms < y->created_ms ? -1 : 1;
    return pw_mem_compare_inbox(x, y);
}

pawl_code pw_memory_inbox_pending(pw_store *base, uint64_t partitions, uint32_t limit,
                                  pw_inbox_row **out, size_t *count, pw_arena *arena,
                                  pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &pw_mem_inbox_shape, .arena = arena };
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->inbox.count; i++) {
        const pw_inbox_row *row = m->inbox.items[i];
        if (row->consumed_step == 0 && among(partitions, row->target))
            (void)add(&r, row);
    }
    if (r.count > 1)
        qsort(r.items, r.count, sizeof(pw_inbox_row), oldest_first);
    r.count = r.count > limit ? limit : r.count;
    return give(m, &r, out, count, err);
}
