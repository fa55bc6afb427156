/* counts.c - see counts.h. */
#include "engine/engine.h"

/* ------------------------------------------------------------------ names */

static uint32_t hash_of(pw_str text)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * 16777619u;
    return hash;
}

/* The place of the name, or the free one where it belongs: there are more than twice as many as rows. */
static size_t place_of(pw_named *named, uint32_t hash, pw_str name, pw_named_row **found)
{
    const size_t mask = PW_LENGTH(named->buckets) - 1;
    size_t at = hash & mask;
    for (;; at = (at + 1) & mask) {
        *found = atomic_load_explicit(&named->buckets[at], memory_order_acquire); /* its name was written before */
        if (!*found || ((*found)->hash == hash && pw_str_eq((*found)->name, name)))
            return at;
    }
}

/* Under the lock. NULL: no room, or no memory. */
static pw_named_row *add_row(pw_named *named, uint32_t hash, pw_str name)
{
    const unsigned count = atomic_load_explicit(&named->count, memory_order_relaxed);
    pw_named_row *row, *there;
    const size_t at = place_of(named, hash, name, &there);
    if (there || count > named->most || !(row = pw_zalloc(named->row_size + name.len)))
        return there;
    char *text = (char *)row + named->row_size;
    if (name.len)
        memcpy(text, name.ptr, name.len);
    *row = (pw_named_row){ { text, name.len }, hash };
    named->rows[count] = row;
    atomic_store_explicit(&named->buckets[at], row, memory_order_release);
    atomic_store_explicit(&named->count, count + 1, memory_order_release);
    return row;
}

pawl_code pw_named_init(pw_named *named, size_t row_size, uint32_t most, pawl_error *err)
{
    PW_ASSERT(most <= PW_NAMED_MAX);
    *named = (pw_named){ .row_size = row_size, .most = most };
    int failed = pthread_mutex_init(&named->lock, NULL);
    if (failed)
        return pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory");
    const pw_str name = PW_LIT(PW_NAMED_OTHER);
    named->other = add_row(named, hash_of(name), name);
    if (named->other)
        return PAWL_OK;
    (void)pthread_mutex_destroy(&named->lock);
    return pw_no_memory(err);
}

void pw_named_done(pw_named *named)
{
    const unsigned count = atomic_load(&named->count);
    for (unsigned i = 0; i < count; i++)
        pw_free(named->rows[i]);
    (void)pthread_mutex_destroy(&named->lock);
}

pw_named_row *pw_named_get(pw_named *named, pw_str name)
{
    if (!name.len)
        return named->other;
    const uint32_t hash = hash_of(name);
    pw_named_row *row;
    (void)place_of(named, hash, name, &row);
    if (row)
        return row;
    if (atomic_load_explicit(&named->count, memory_order_relaxed) > named->most)
        return named->other; /* full, for good */
    (void)pthread_mutex_lock(&named->lock);
    row = add_row(named, hash, name);
    (void)pthread_mutex_unlock(&named->lock);
    return row ? row : named->other;
}

/* ------------------------------------------------------------------ all of it */

pawl_code pw_counts_new(pw_counts **out, pawl_error *err)
{
    pw_counts *c = pw_zalloc(sizeof *c);
    if (!c)
        return pw_no_memory(err);
    pw_named *const tables[] = { &c->definitions, &c->services, &c->functions, &c->served };
    const size_t sizes[] = { sizeof(pw_definition_counts), sizeof(pw_service_counts), sizeof(pw_function_counts),
                             sizeof(pw_served_counts) };
    const uint32_t most[] = { PW_NAMED_MAX, PW_NAMED_SERVICES, PW_NAMED_MAX, PW_NAMED_MAX };
    size_t made = 0;
    int failed = pthread_mutex_init(&c->lock, NULL);
    pawl_code code = failed ? pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory") : PAWL_OK;
    while (made < PW_LENGTH(tables) && code == PAWL_OK)
        if ((code = pw_named_init(tables[made], sizes[made], most[made], err)) == PAWL_OK)
            made++;
    if (code == PAWL_OK) {
        *out = c;
        return PAWL_OK;
    }
    while (made > 0)
        pw_named_done(tables[--made]);
    if (!failed)
        (void)pthread_mutex_destroy(&c->lock);
    pw_free(c);
    return code;
}

void pw_counts_free(pw_counts *c)
{
    if (!c)
        return;
    pw_named_done(&c->definitions);
    pw_named_done(&c->services);
    pw_named_done(&c->functions);
    pw_named_done(&c->served);
    (void)pthread_mutex_destroy(&c->lock);
    pw_free(c);
}

static void add_one(atomic_ullong *number)
{
    atomic_fetch_add_explicit(number, 1, memory_order_relaxed);
}

/* ------------------------------------------------------------------ a step */

static pw_definition_counts *definition_of(pw_counts *counts, const pw_program *program)
{
    char name[256]; /* longer: "_other". Names in the language have at most 63 bytes each */
    const pw_str ns = program->namespace_, own = program->name;
    if (ns.len + 1 + own.len > sizeof name)
        return (pw_definition_counts *)counts->definitions.other;
    memcpy(name, ns.ptr, ns.len);
    name[ns.len] = '/';
    memcpy(name + ns.len + 1, own.ptr, own.len);
    return (pw_definition_counts *)pw_named_get(&counts->definitions, (pw_str){ name, ns.len + 1 + own.len });
}

static void count_fault(pw_step_counts *counts, const pw_fault *fault, bool suspended)
{
    pw_fault_kind kind;
    pw_error_class class_;
    if (!fault || !pw_fault_kind_parse(&kind, fault->kind) || !pw_error_class_parse(&class_, fault->class_))
        return;
    const bool undone = fault->resolution.len > 0;
    add_one(&counts->faults[kind][class_][undone      ? PW_FAULT_COMPENSATED
                                          : suspended ? PW_FAULT_SUSPENDED
                                                      : PW_FAULT_INCIDENT]);
    if (!undone)
        add_one(&counts->incidents);
}

bool pw_count_is_action(pw_event_kind kind)
{
    static const unsigned actions =
        PW_BIT(PW_EVENT_CANCEL) | PW_BIT(PW_EVENT_SUSPEND) | PW_BIT(PW_EVENT_CONTINUE) | PW_BIT(PW_EVENT_RETRY) |
        PW_BIT(PW_EVENT_FAIL) | PW_BIT(PW_EVENT_SKIP) | PW_BIT(PW_EVENT_GOTO) | PW_BIT(PW_EVENT_EDIT) |
        PW_BIT(PW_EVENT_COMPENSATE) | PW_BIT(PW_EVENT_REWIND);
    return actions & PW_BIT(kind);
}

/* An incident that suspends is a failure of the instance as much as one that leaves it faulted. */
static bool has_ended(const pw_live *live, const pw_transition *t, pw_status *as)
{
    const bool living = !live->state || !pw_status_ended(live->status);
    *as = t->fault && t->status == PW_SUSPENDED ? PW_FAULTED : t->status;
    return living && pw_status_ended(*as);
}

void pw_count_step(pawl *p, pw_step_counts *counts, const pw_live *live)
{
    const pw_commit *commit = &live->commit;
    const pw_transition *t = &commit->transition;
    pw_status as;
    pw_histogram_add(&counts->step, (pw_monotonic_ns() - commit->begun_ns) / 1000);
    for (const pw_retried *retried = t->retried; retried; retried = retried->next)
        add_one(&counts->faults[retried->kind][retried->class_][PW_FAULT_RETRIED]);
    count_fault(counts, t->fault, t->status == PW_SUSPENDED);
    if (t->resolution.len)
        add_one(&counts->resolved);
    if (pw_count_is_action(commit->item.event))
        add_one(&counts->actions[commit->item.event]);
    const bool ended = has_ended(live, t, &as);
    if (!ended && !commit->item.create)
        return;
    pw_definition_counts *definition = definition_of(p->counts, live->program);
    if (commit->item.create) {
        add_one(&counts->started);
        add_one(&definition->started);
    }
    if (ended) {
        add_one(&counts->ended[as]);
        add_one(&definition->ended[as]);
    }
}

/* ------------------------------------------------------------------ a call */

const char *pw_call_end_name(pw_call_end end)
{
    switch (end) {
    case PW_CALL_END_SUCCESS:
        return "success";
    case PW_CALL_END_REJECTED:
        return "rejected";
    case PW_CALL_END_FAILURE:
        return "failure";
    case PW_CALL_END_REFUSED:
        return "refused";
    case PW_CALL_END_CANCELLED:
        return "cancelled";
    case PW_CALL_ENDS:
        break;
    }
    return "";
}

static pw_call_end end_of(const pw_http_call *call)
{
    const pw_call_result *result = &call->result;
    if (call->cancelled)
        return PW_CALL_END_CANCELLED;
    if (result->answered && result->status < 400)
        return PW_CALL_END_SUCCESS;
    const pw_error_class class_ = result->answered ? pw_error_class_of_answer(result->status) : result->class_;
    if (pw_error_class_breaks(class_))
        return PW_CALL_END_FAILURE;
    return result->answered || class_ == PW_CLASS_MALFORMED ? PW_CALL_END_REJECTED : PW_CALL_END_REFUSED;
}

void pw_count_call(pw_counts *counts, const pw_http_call *call)
{
    pw_service_counts *service = (pw_service_counts *)pw_named_get(&counts->services, pw_http_call_service(call));
    const pw_call_end end = end_of(call);
    add_one(&service->ended[end]);
    if (call->attempt > 1)
        add_one(&service->retries);
    if (end <= PW_CALL_END_FAILURE)
        pw_histogram_add(&service->duration, call->result.duration_ms * 1000);
}

void pw_count_breaker_opened(pw_counts *counts, pw_str service)
{
    add_one(&((pw_service_counts *)pw_named_get(&counts->services, service))->opened);
}

/* ------------------------------------------------------------------ activities */

static pw_function_counts *function_of(pw_counts *counts, pw_str function)
{
    return (pw_function_counts *)pw_named_get(&counts->functions, function);
}

void pw_count_ran(pw_counts *counts, pw_str function, uint64_t begun_ns)
{
    pw_histogram_add(&function_of(counts, function)->ran, (pw_monotonic_ns() - begun_ns) / 1000);
}

/* By the clock that may be set: what would be before it came did not wait. */
void pw_count_job_given(pw_counts *counts, pw_str function, int64_t waited_ms)
{
    pw_histogram_add(&function_of(counts, function)->waited, waited_ms > 0 ? (uint64_t)waited_ms * 1000 : 0);
}

void pw_count_job_answered(pw_counts *counts, pw_str function, uint64_t held_ns)
{
    pw_histogram_add(&function_of(counts, function)->held, held_ns / 1000);
}
