/* ledger_faults.c - of attempts, incidents and warnings: what was committed, checked as it is committed.
 *
 * Counters of attempts never go down, whoever has read the instance since; none is above what was allowed, none begins before
 * its time; a fault has its entry and its row; an incident that is open keeps everything where it is until a person, or the
 * end of a suspension, says otherwise. */
#include "ledger.h"
#include "base/json.h"

#define IS(type, name) pw_str_is(type, name)

static int64_t number_of(pw_value entry, const char *name)
{
    int64_t n = -1;
    return pw_integer(pw_get_lit(entry, name), &n) ? n : -1;
}

/* ------------------------------------------------------------------ attempts */

static void learn(const account *a, visit *v, pw_value entry)
{
    if (v->known)
        return;
    v->known = true;
    v->said = sim_flow_said(a->flow, pw_get_text(entry, "task"));
}

static uint32_t retries_of(const visit *v)
{
    if (v->said.retries >= 0)
        return (uint32_t)v->said.retries;
    return v->works ? sim_resilience.retries : sim_resilience.call_retries;
}

/* An attempt came to nothing, and there is, or is not, another one. */
static void on_failed(account *a, uint32_t alias, pw_value entry, visit *v, const pw_commit_item *item)
{
    int64_t attempt = number_of(entry, "attempt"), delay_ms = number_of(entry, "retryDelayMs");
    bool again = pw_truthy(pw_get_lit(entry, "shouldRetry"));
    if (attempt != (int64_t)v->lost + 1 || v->waits)
        sim_violation("i%u: attempt %lld fails, and it should be %u", alias, (long long)attempt, v->lost + 1);
    if (again != (delay_ms >= 0))
        sim_violation("i%u: attempt %lld fails, and its delay is %lld ms", alias, (long long)attempt, (long long)delay_ms);
    if (!again)
        return;
    v->lost++;
    v->waits = true;
    v->due_ms = item->now_ms + delay_ms;
    if (v->lost > retries_of(v))
        sim_violation("i%u: attempt %lld is to be followed by another, and %u retries are allowed", alias,
                      (long long)attempt, retries_of(v));
    (void)a;
}

static void on_next(uint32_t alias, pw_value entry, visit *v, const pw_commit_item *item)
{
    int64_t attempt = number_of(entry, "attempt");
    bool hastened = item->event == PW_EVENT_RETRY;
    if (attempt == 1 && v->lost == 0)
        return; /* what a person sends again, as a visit of its own */
    if (!v->waits || attempt != (int64_t)v->lost + 1)
        sim_violation("i%u: attempt %lld begins, and it should be %u", alias, (long long)attempt, v->lost + 1);
    if (item->now_ms < v->due_ms && !hastened)
        sim_violation("i%u: attempt %lld begins %lld ms before its time", alias, (long long)attempt,
                      (long long)(v->due_ms - item->now_ms));
    if (v->kept)
        sim_violation("i%u: attempt %lld begins, and the result is there", alias, (long long)attempt);
    if ((v->unknown >> (attempt - 1) & 1) && v->said.on_unknown != PW_ON_UNKNOWN_RESEND)
        sim_violation("i%u: attempt %lld begins, and nobody knows what became of the one before", alias,
                      (long long)attempt);
    v->waits = false;
}

/* ------------------------------------------------------------------ incidents */

static bool suspends(const account *a, const pw_fault *fault, int64_t now_ms)
{
    pw_fault_kind kind = PW_FAULT_ACTIVITY;
    pw_error_class class_ = PW_CLASS_OTHER;
    uint32_t near = 1;
    if (!pw_fault_kind_parse(&kind, fault->kind) || !pw_error_class_parse(&class_, fault->class_))
        sim_violation("a fault is of the kind " PW_FMT ", and the class " PW_FMT, PW_ARG(fault->kind),
                      PW_ARG(fault->class_));
    for (uint32_t i = 0; i < a->entry.incidents && i < INCIDENTS_MAX; i++)
        near += now_ms - a->incident_ms[i] < (int64_t)sim_resilience.suspend_within_ms;
    return pw_fault_policy_default.rules[kind][class_].then == PW_THEN_SUSPEND ||
           (sim_resilience.suspend_after > 0 && near >= sim_resilience.suspend_after);
}

static void on_fault(account *a, uint32_t alias, pw_value entry, const pw_commit_item *item)
{
    const pw_transition *t = item->transition;
    if (!t->fault)
        sim_violation("i%u: it faults, and there is no row of it", alias);
    if (a->entry.incidents < INCIDENTS_MAX)
        a->incident_ms[a->entry.incidents] = item->now_ms;
    if (t->fault->resolution.len) { /* the definition takes it */
        if (!pw_str_is(t->fault->resolution, "compensating") || !pw_str_is(t->fault->decision, "compensate") ||
            (t->status != PW_COMPENSATING && t->status != PW_COMPENSATED))
            sim_violation("i%u: its fault is " PW_FMT " at once, and it is %s", alias, PW_ARG(t->fault->resolution),
                          pw_status_name(t->status));
        a->entry.incidents++;
        return;
    }
    bool suspended = suspends(a, t->fault, item->now_ms);
    if (t->status != (suspended ? PW_SUSPENDED : PW_FAULTED) ||
        pw_truthy(pw_get_lit(entry, "suspendWorkflow")) != suspended ||
        !pw_str_is(t->fault->decision, suspended ? "suspend" : "incident"))
        sim_violation("i%u: its incident %u leaves it %s, by the decision '" PW_FMT "'", alias, a->entry.incidents + 1,
                      pw_status_name(t->status), PW_ARG(t->fault->decision));
    if (pw_truthy(pw_get_lit(entry, "shouldRetry")) || !pw_truthy(pw_get_lit(entry, "requiresManualIntervention")) ||
        pw_get_text(entry, "recommendedAction").len == 0)
        sim_violation("i%u: its fault does not say that a person has to act, and how", alias);
    if (!pw_str_eq(pw_get_text(entry, "class"), t->fault->class_) ||
        number_of(entry, "attempts") != (int64_t)t->fault->attempt)
        sim_violation("i%u: its fault is one thing in the log, and another in the row", alias);
    a->entry.incidents++;
    a->entry.incident = true;
}

static void check_row(uint32_t alias, const pw_commit_item *item)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_incident_row row;
    pawl_code code = pw_store_incident_get(sim_store, item->instance, item->token + 1, &row, &arena, NULL);
    if (code != PAWL_OK || !row.row.open || row.row.created_ms != item->now_ms)
        sim_violation("i%u: it has faulted in step %llu, and no incident of that is open", alias,
                      (unsigned long long)item->token + 1);
    pw_arena_done(&arena);
}

/* What may happen while an incident is open: results come and are kept, and people act. */
static bool goes_on(pw_str type)
{
    return IS(type, "task.started") || IS(type, "task.completed") || IS(type, "attempt.started") ||
           IS(type, "instance.completed") || IS(type, "instance.faulted") || IS(type, "instance.long-running");
}

bool sim_mends(pw_str task)
{
    static const char end[] = "/metadata/pawl/onFault";
    size_t len = sizeof end - 1;
    return task.len >= len && memcmp(task.ptr + task.len - len, end, len) == 0;
}

/* ------------------------------------------------------------------ an entry */

static void on_warning(account *a, uint32_t alias, const pw_commit_item *item)
{
    if (a->warned)
        sim_violation("i%u: it is told twice that it runs long", alias);
    if (!sim_resilience.long_running_ms || item->now_ms < a->first_ms + (int64_t)sim_resilience.long_running_ms)
        sim_violation("i%u: it is told that it runs long after %lld ms", alias, (long long)(item->now_ms - a->first_ms));
    a->warned = true;
}

void sim_faults_entry(account *a, uint32_t alias, pw_str type, pw_value entry, visit *v, const pw_commit_item *item)
{
    if (a->entry.incident && goes_on(type) && !sim_mends(pw_get_text(entry, "task")))
        sim_violation("i%u: '" PW_FMT "', and its incident is open", alias, PW_ARG(type));
    if (IS(type, "instance.faulted"))
        on_fault(a, alias, entry, item);
    if (IS(type, "instance.long-running"))
        on_warning(a, alias, item);
    if (!v)
        return;
    learn(a, v, entry);
    if (IS(type, "attempt.failed") || IS(type, "attempt.lost"))
        on_failed(a, alias, entry, v, item);
    if (IS(type, "attempt.started"))
        on_next(alias, entry, v, item);
    if (IS(type, "result.kept")) {
        if (!a->entry.incident && a->entry.status != PW_SUSPENDED)
            sim_violation("i%u: a result is kept, and no incident is open", alias);
        v->kept = true;
        v->keeps_error = pw_is(pw_get_lit(entry, "error"), PW_OBJECT);
        v->held = v->held || !v->keeps_error;
    }
    if (v->kept && !v->keeps_error && !a->fed && IS(type, "task.faulted"))
        sim_violation("i%u: a task fails, and its result is there", alias);
    if (IS(type, "task.completed") || IS(type, "task.faulted") || IS(type, "task.cancelled"))
        v->waits = v->kept = false;
}

/* ------------------------------------------------------------------ a step */

void sim_faults_begin(account *a, uint32_t alias, const pw_commit_item *item)
{
    pw_str how = item->transition->resolution;
    if (how.len > 0 && !a->entry.incident)
        sim_violation("i%u: no incident is open, and it is " PW_FMT, alias, PW_ARG(how));
    a->entry.retried += pw_str_is(how, "retried");
    a->entry.failed += pw_str_is(how, "failed");
    a->entry.skipped += pw_str_is(how, "skipped");
    a->entry.moved += pw_str_is(how, "moved") || pw_str_is(how, "rewound");
    if (how.len > 0)
        a->entry.incident = false;
}

/* When it has to be woken at the latest, as far as is known here. */
static int64_t earliest(const account *a)
{
    int64_t at = INT64_MAX;
    for (uint64_t i = 1; i < a->visit_room; i++)
        if (a->visits[i].waits && a->visits[i].due_ms < at)
            at = a->visits[i].due_ms;
    int64_t warning_ms = a->first_ms + (int64_t)sim_resilience.long_running_ms;
    return sim_resilience.long_running_ms && !a->warned && warning_ms < at ? warning_ms : at;
}

void sim_faults_end(account *a, uint32_t alias, const pw_commit_item *item)
{
    const pw_transition *t = item->transition;
    bool opens = t->fault && t->fault->resolution.len == 0;
    if (opens && !a->entry.incident)
        sim_violation("i%u: there is a row of a fault, and no entry", alias);
    if (opens)
        check_row(alias, item);
    if (a->entry.incident && t->status != PW_FAULTED && t->status != PW_SUSPENDED)
        sim_violation("i%u is %s, and its incident is open", alias, pw_status_name(t->status));
    if (a->entry.incident && !t->fault && (t->call_count || t->work_count))
        sim_violation("i%u: begins something while its incident is open", alias);
    bool lives = t->status == PW_RUNNING || t->status == PW_WAITING;
    int64_t at = earliest(a);
    if (lives && at != INT64_MAX && (t->wake_at == PW_WAKE_NEVER || t->wake_at > at))
        sim_violation("i%u: nobody wakes it %lld ms after its start, when something is due", alias,
                      (long long)(at - a->first_ms));
}
