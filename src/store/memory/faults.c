/* faults.c - incidents of the memory store, and the breakers of services. */
#include <stdlib.h>

#include "store/memory/reading.h"

/* ---- rows of a step */

bool pw_mem_fault_put(pw_memory *m, pw_mem_instance *in, const pw_commit_item *item,
                      const pw_fault *fault)
{
    pw_fault_row row = { .sequence = item->token + 1,
                         .fault = *fault,
                         .open = fault->resolution.len == 0,
                         .created_ms = item->now_ms,
                         .resolved_ms = -1 };
    row.fault.resolution = (pw_str){ "", 0 };
    if (!row.open) {
        row.resolved_ms = item->now_ms;
        row.resolved_by = PW_LIT("system");
        row.resolution = fault->resolution;
    }
    return pw_mem_put(m, &in->faults, in->faults.count, pw_mem_row_new(&pw_mem_fault_shape, &row));
}

bool pw_mem_faults_resolve(pw_memory *m, pw_mem_instance *in, pw_commit_item *item)
{
    bool good = true, any = false;
    for (size_t i = 0; good && i < in->faults.count; i++) {
        pw_fault_row row = *(const pw_fault_row *)in->faults.items[i];
        if (!row.open)
            continue;
        row.open = false;
        row.resolved_ms = item->now_ms;
        row.resolved_by = pw_store_actor_of(item);
        row.resolution = item->transition->resolution;
        any = true;
        good = pw_mem_replace(m, &in->faults, i, pw_mem_row_new(&pw_mem_fault_shape, &row));
    }
    if (good && !any)
        (void)pw_store_no_open_incident(item);
    return good;
}

bool pw_mem_fault_is_open(const pw_mem_instance *in)
{
    bool open = false;
    for (size_t i = 0; i < in->faults.count && !open; i++)
        open = ((const pw_fault_row *)in->faults.items[i])->open;
    return open;
}

/* ---- reading */

pawl_code pw_memory_faults(pw_store *base, pw_str id, pw_fault_row **out, size_t *count,
                           pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &pw_mem_fault_shape, .arena = arena };
    pthread_mutex_lock(&m->lock);
    const pw_mem_instance *in = pw_mem_instance_of(m, id);
    for (size_t i = 0; in && i < in->faults.count; i++)
        (void)add(&r, in->faults.items[i]);
    return give(m, &r, out, count, err);
}

static const pw_mem_shape incident_shape =
    SHAPE(pw_incident_row, IN(pw_incident_row, row.fault.task), IN(pw_incident_row, row.fault.kind),
          IN(pw_incident_row, row.fault.error), IN(pw_incident_row, row.fault.class_),
          IN(pw_incident_row, row.fault.decision), IN(pw_incident_row, row.fault.action),
          IN(pw_incident_row, row.resolved_by), IN(pw_incident_row, row.resolution),
          IN(pw_incident_row, instance), IN(pw_incident_row, namespace_), IN(pw_incident_row, name),
          IN(pw_incident_row, version));

static pw_incident_row incident_of(const pw_mem_instance *in, size_t at)
{
    const pw_instance_row *row = pw_mem_row_of(in);
    return (pw_incident_row){ .row = *(const pw_fault_row *)in->faults.items[at],
                              .instance = row->id,
                              .namespace_ = row->namespace_,
                              .name = row->name,
                              .version = row->version,
                              .status = row->status };
}

static bool is_any_or(pw_str wanted, pw_str is)
{
    return wanted.len == 0 || pw_str_eq(wanted, is);
}

/* Newest first, and behind the place. */
static bool lets_through(const pw_incident_filter *filter, const pw_incident_place *behind,
                         const pw_mem_instance *in, const pw_incident_row *incident,
                         pw_arena *arena)
{
    const pw_fault *f = &incident->row.fault;
    const pw_incident_place place = pw_store_incident_place(incident);
    return pw_store_incident_cmp(behind, &place) < 0 && (filter->resolved || incident->row.open) &&
           is_any_or(filter->instance, incident->instance) &&
           is_any_or(filter->namespace_, incident->namespace_) &&
           is_any_or(filter->name, incident->name) &&
           one_of(filter->namespaces, filter->namespace_count, incident->namespace_) &&
           is_any_or(filter->kind, f->kind) && is_any_or(filter->class_, f->class_) &&
           is_any_or(filter->task, f->task) && is_any_or(filter->version, incident->version) &&
           pw_mem_has_labels(pw_mem_row_of(in), filter->labels, filter->label_count, arena);
}

static int newest_first(const void *a, const void *b)
{
    const pw_incident_place x = pw_store_incident_place(a), y = pw_store_incident_place(b);
    return pw_store_incident_cmp(&x, &y);
}

pawl_code pw_memory_incidents(pw_store *base, const pw_incident_filter *filter,
                              const pw_incident_place *behind, uint32_t limit,
                              pw_incident_row **out, size_t *count, pw_arena *arena,
                              pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &incident_shape, .arena = arena };
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->instances.count; i++) {
        const pw_mem_instance *in = m->instances.items[i];
        for (size_t j = 0; j < in->faults.count; j++) {
            const pw_incident_row incident = incident_of(in, j);
            if (lets_through(filter, behind, in, &incident, arena))
                (void)add(&r, &incident);
        }
    }
    if (r.count > 1)
        qsort(r.items, r.count, sizeof(pw_incident_row), newest_first);
    r.count = r.count > limit ? limit : r.count;
    return give(m, &r, out, count, err);
}

pawl_code pw_memory_incident_count(pw_store *base, const pw_incident_filter *filter,
                                   const pw_incident_place *behind, uint64_t *out, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    pw_arena arena; /* for labels */
    pw_arena_init(&arena, 0);
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->instances.count; i++) {
        const pw_mem_instance *in = m->instances.items[i];
        for (size_t j = 0; j < in->faults.count; j++) {
            const pw_incident_row incident = incident_of(in, j);
            *out += lets_through(filter, behind, in, &incident, &arena);
        }
    }
    pthread_mutex_unlock(&m->lock);
    bool failed = arena.failed;
    pw_arena_done(&arena);
    return failed ? pw_no_memory(err) : PAWL_OK;
}

pawl_code pw_memory_incident_get(pw_store *base, pw_str instance, uint64_t step,
                                 pw_incident_row *out, pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    bool found = false;
    pthread_mutex_lock(&m->lock);
    const pw_mem_instance *in = pw_mem_instance_of(m, instance);
    for (size_t i = 0; in && i < in->faults.count && !found; i++) {
        const pw_incident_row row = incident_of(in, i);
        found = row.row.sequence == step;
        if (found)
            pw_mem_row_copy(&incident_shape, out, &row, arena);
    }
    pthread_mutex_unlock(&m->lock);
    if (!found)
        return pw_store_no_incident(err, instance, step);
    return arena->failed ? pw_no_memory(err) : PAWL_OK;
}

/* ---- breakers */

static const pw_mem_shape breaker_shape =
    SHAPE(pw_breaker_record, IN(pw_breaker_record, service), IN(pw_breaker_record, probe_by),
          IN(pw_breaker_record, changed_by), IN(pw_breaker_record, reason));

static int compare_breaker(const void *item, const void *key)
{
    return pw_str_cmp(((const pw_breaker_record *)item)->service, *(const pw_str *)key);
}

pawl_code pw_memory_breakers(pw_store *base, pw_breaker_record **out, size_t *count,
                             pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &breaker_shape, .arena = arena };
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->breakers.count; i++)
        (void)add(&r, m->breakers.items[i]);
    return give(m, &r, out, count, err);
}

pawl_code pw_memory_breaker_get(pw_store *base, pw_str service, pw_breaker_record *out, bool *found,
                                pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    pthread_mutex_lock(&m->lock);
    size_t at = pw_mem_find(&m->breakers, compare_breaker, &service, found);
    if (*found)
        pw_mem_row_copy(&breaker_shape, out, m->breakers.items[at], arena);
    pthread_mutex_unlock(&m->lock);
    return arena->failed ? pw_no_memory(err) : PAWL_OK;
}

static pawl_code set_breaker(pw_memory *m, const pw_breaker_record *record, bool *won,
                             pawl_error *err)
{
    bool found = false;
    size_t at = pw_mem_find(&m->breakers, compare_breaker, &record->service, &found);
    uint64_t epoch = found ? ((const pw_breaker_record *)m->breakers.items[at])->epoch : 0;
    *won = epoch == record->epoch;
    if (!*won)
        return PAWL_CONFLICT; /* not ours: nothing to keep */
    pw_breaker_record row = *record;
    row.epoch++;
    void *made = pw_mem_row_new(&breaker_shape, &row);
    bool good =
        found ? pw_mem_replace(m, &m->breakers, at, made) : pw_mem_put(m, &m->breakers, at, made);
    return good ? PAWL_OK : pw_no_memory(err);
}

bool pw_mem_breaker_forget(pw_memory *m, pw_str service)
{
    bool found = false;
    size_t at = pw_mem_find(&m->breakers, compare_breaker, &service, &found);
    return !found || pw_mem_remove(m, &m->breakers, at);
}

pawl_code pw_memory_breaker_set(pw_store *base, const pw_breaker_record *record, bool *won,
                                pawl_error *err)
{
    pawl_code code = pw_mem_begin(base, err);
    if (code != PAWL_OK)
        return code;
    code = pw_mem_end(base, set_breaker(pw_memory_of(base), record, won, err), err);
    return code == PAWL_CONFLICT ? PAWL_OK : code;
}
