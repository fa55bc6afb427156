/* fault.c - attempts that fail, and errors that nothing in the definition catches.
 *
 * An attempt that ends badly asks in this order: would a try around it catch the error? Then it is
 * the try's, with all that the language says of it. Else the policy decides, by its table, whether
 * there is another attempt, and when: the frame waits for it in PHASE_RETRY, with its key and what was
 * evaluated for it. A fork whose branches compete outlives the error of one of them, which is no reason
 * not to try again; so it comes behind the policy. What is not tried again goes outward; where nothing
 * catches it, it is an incident, and the instance stops as it stands. While the instance is asleep all
 * of it is decided alike, but nothing begins.
 *
 * An attempt that was lost with its process asks the policy first: that a machine has died is no
 * outcome of the task, which a definition could have meant.
 *
 * One error goes past every try: where its task asks for that, a call whose outcome nobody knows is a
 * person's to judge. */
#include "core/step.h"
#include "base/json.h"

static const pw_fault_policy *policy_of(const pw_step *step)
{
    return step->settings->faults ? step->settings->faults : &pw_fault_policy_default;
}

/* ------------------------------------------------------------------ facts */

static pw_error_class class_of(const pw_frame *at, pw_value problem)
{
    static const struct {
        const char *suffix;
        pw_error_class class_;
    } types[] = {
        { "expression", PW_CLASS_ARGUMENT },    { "validation", PW_CLASS_ARGUMENT },
        { "configuration", PW_CLASS_ARGUMENT }, { "authentication", PW_CLASS_DENIED },
        { "authorization", PW_CLASS_DENIED },   { "timeout", PW_CLASS_TIMEOUT },
        { "communication", PW_CLASS_OTHER },    { "runtime", PW_CLASS_OTHER },
    };
    if (at->class_)
        return (pw_error_class)(at->class_ - 1);
    pw_str suffix = pw_error_suffix(pw_get_text(problem, "type"));
    for (size_t i = 0; i < PW_LENGTH(types) && !(at->task && at->task->kind == PW_TASK_RAISE); i++)
        if (pw_str_is(suffix, types[i].suffix))
            return types[i].class_;
    return PW_CLASS_BUSINESS; /* the definition, or who works for it, has raised it on purpose */
}

static bool is_call(const pw_frame *frame)
{
    return frame->task && (frame->task->kind == PW_TASK_HTTP || frame->task->kind == PW_TASK_ACTIVITY);
}

/* A call that could not be rendered, or whose output does not fit, is none of its service's. */
static pw_fault_facts facts_of(pw_step *step, const pw_frame *at, pw_value problem)
{
    pw_fault_facts facts = {
        .kind = PW_FAULT_ACTIVITY,
        .class_ = class_of(at, problem),
        .first_ms = at->started_ms,
        .now_ms = step->event->now_ms,
        .instance = step->identity->instance,
        .task = at->task ? at->task->pointer : PW_LIT("/"),
        .name = at->task ? at->task->name : step->program->name,
        .status = pw_problem_status(problem),
        .detail = pw_get_text(problem, "detail"),
    };
    if (!facts.detail.len)
        facts.detail = pw_get_text(problem, "title");
    bool attempted = is_call(at) && (at->class_ || facts.class_ == PW_CLASS_TIMEOUT);
    if (attempted)
        facts.attempts = at->attempt;
    if (attempted && at->task->kind == PW_TASK_HTTP)
        facts.kind = PW_FAULT_EXTERNAL_CALL;
    if (is_call(at) && at->task->kind == PW_TASK_ACTIVITY)
        facts.service = at->task->as.call.name;
    return facts;
}

/* Whom to look at. */
static void add_endpoint(pw_step *step, pw_frame *at, pw_fault_facts *facts)
{
    if (facts->kind != PW_FAULT_EXTERNAL_CALL)
        return;
    facts->endpoint = pw_http_endpoint_of(step, at);
    facts->service = pw_call_resilience(at).service;
    if (!facts->service.len)
        facts->service = pw_http_service_of(step->arena, facts->endpoint);
}

static pw_value class_value(pw_error_class class_)
{
    return pw_string_ref(pw_str_of(pw_error_class_name(class_)));
}

/* ------------------------------------------------------------------ an attempt */

static void record_attempt(pw_step *step, const pw_frame *frame, const pw_failure *failure,
                           const pw_fault_result *result)
{
    bool again = result && result->should_retry, lost = failure->class_ == PW_CLASS_LOST;
    PW_RECORD(step, lost ? "attempt.lost" : "attempt.failed", frame,
              { PW_LIT("attempt"), pw_int(frame->attempt) },
              { PW_LIT("class"), class_value(failure->class_) },
              { PW_LIT("error"), lost ? (pw_value){ 0 } : failure->problem },
              { PW_LIT("shouldRetry"), pw_bool(again) },
              { PW_LIT("retryDelayMs"),
                again ? pw_int((int64_t)result->retry_delay_ms) : (pw_value){ 0 } },
              { PW_LIT("dueAt"), again && result->retry_delay_ms
                                     ? pw_moment_value(step->arena, frame->due_ms)
                                     : (pw_value){ 0 } });
}

static int64_t after(int64_t now, uint64_t delay)
{
    return delay > (uint64_t)(INT64_MAX - now) ? INT64_MAX : now + (int64_t)delay;
}

static void push_retried(pw_step *step, pw_fault_kind kind, pw_error_class class_)
{
    pw_retried *retried = PW_NEW(step->arena, pw_retried);
    *retried = (pw_retried){ step->retried, kind, class_ };
    step->retried = retried;
}

static void wait_for_next(pw_step *step, pw_frame *frame, const pw_failure *failure,
                          const pw_fault_result *result)
{
    frame->phase = PHASE_RETRY;
    frame->error = failure->problem;
    frame->due_ms = after(step->event->now_ms, result->retry_delay_ms);
    record_attempt(step, frame, failure, result);
    if (result->retry_delay_ms == 0 && !pw_is_asleep(step->state))
        pw_call_again(step, frame);
}

/* What the task says of retries, or the call of the function around it. False: step->thrown. */
static bool own_retries(pw_step *step, pw_frame *frame, const pw_failure *failure,
                        pw_retry_settings *settings, pw_fault_facts *facts)
{
    const pw_resilience *own = frame->task->resilience;
    const pw_retry_policy *policy = pw_call_resilience(frame).retry;
    bool applies;
    if (!policy)
        return true;
    pw_frame *scope = own && own->retry ? frame : pw_call_function(frame);
    if (!pw_retry_settings_of(step, scope, policy, failure->problem, &applies, settings))
        return false;
    facts->retry = settings;
    facts->final = facts->final || (!applies && failure->class_ != PW_CLASS_LOST); /* no error of theirs */
    return true;
}

static pw_catcher catcher_of(pw_step *step, pw_frame *frame, pw_value problem)
{
    bool ask = pw_fault_is_unknown(frame) &&
               pw_call_on_unknown(frame, step->settings) == PW_ON_UNKNOWN_ASK;
    const pw_catcher nobody = { .problem = problem };
    return ask ? nobody : pw_flow_catcher(step, frame, problem);
}

static void raise_to(pw_step *step, pw_frame *frame, pw_value problem, const pw_catcher *catcher)
{
    if (catcher->replaced)
        frame->class_ = 0;
    pw_flow_raise_to(step, frame, problem, catcher);
}

void pw_fault_raise(pw_step *step, pw_frame *frame, pw_value problem)
{
    const pw_catcher catcher = catcher_of(step, frame, problem);
    raise_to(step, frame, problem, &catcher);
}

void pw_fault_attempt(pw_step *step, pw_frame *frame, const pw_failure *failure)
{
    frame->class_ = 1 + (unsigned)failure->class_;
    const pw_catcher catcher = catcher_of(step, frame, failure->problem);
    bool caught = catcher.decision.kind != CATCH_NOT && failure->class_ != PW_CLASS_LOST;
    pw_fault_result result = { 0 };
    if (!caught && !failure->final) {
        pw_retry_settings settings;
        pw_fault_facts facts = facts_of(step, frame, failure->problem);
        facts.retry_after_ms = failure->retry_after_ms;
        facts.seed = pw_seed_next(&step->seed);
        if (!own_retries(step, frame, failure, &settings, &facts)) {
            frame->class_ = 0; /* a condition failed: that error goes outward from here */
            pw_call_settle(step, frame, (pw_value){ 0 }, step->thrown);
            return;
        }
        result = step->again ? pw_again_attempt(step, frame)
                             : pw_fault_decide(policy_of(step), &facts, step->arena);
        if (result.should_retry)
            push_retried(step, facts.kind, facts.class_);
    }
    if (result.should_retry) {
        wait_for_next(step, frame, failure, &result);
        return;
    }
    if (failure->class_ == PW_CLASS_LOST)
        record_attempt(step, frame, failure, NULL);
    if (pw_is_asleep(step->state)) {
        pw_call_settle(step, frame, (pw_value){ 0 }, failure->problem);
        return;
    }
    frame->phase = PHASE_PARKED; /* it holds nothing outside any more */
    raise_to(step, frame, failure->problem, &catcher);
}

/* ------------------------------------------------------------------ an incident */

/* Remembers this one; how many there were within the time in which they count, this one too. */
static uint32_t count_incident(pw_step *step)
{
    pw_state *state = step->state;
    int64_t now = step->event->now_ms;
    uint64_t within = policy_of(step)->suspend_within_ms;
    uint32_t skip = state->incident_count < PW_INCIDENTS_KEPT ? 0 : 1, count = 0, near = 0;
    int64_t *instants = PW_NEW_ARRAY(step->arena, int64_t, state->incident_count + 1);
    for (uint32_t i = skip; i < state->incident_count; i++)
        instants[count++] = state->incidents[i];
    instants[count++] = now;
    for (uint32_t i = 0; i < count; i++)
        near += now <= instants[i] || (uint64_t)(now - instants[i]) < within;
    state->incidents = instants;
    state->incident_count = count;
    return near;
}

static void suspend(pw_step *step, const pw_fault_facts *facts)
{
    const pw_fault_policy *policy = policy_of(step);
    pw_state *state = step->state;
    bool often = policy->suspend_after && facts->incidents >= policy->suspend_after;
    state->suspended_by = (pw_str){ 0 };
    state->suspended_reason =
        often ? pw_arena_printf(step->arena, "%u incidents within %llu seconds", facts->incidents,
                                (unsigned long long)(policy->suspend_within_ms / 1000))
              : pw_arena_printf(step->arena, "an incident of the class %s is critical",
                                pw_error_class_name(facts->class_));
    if (step->again)
        state->suspended_reason = pw_again_suspended(step);
    PW_RECORD(step, "instance.suspended", NULL, { PW_LIT("by"), pw_string_ref(PW_LIT("system")) },
              { PW_LIT("reason"), pw_string_ref(state->suspended_reason) });
    pw_record_lifecycle(step, PW_LIFE_SUSPENDED, (pw_value){ 0 });
    pw_tasks_follow(step, PW_LIFE_SUSPENDED);
}

static void push_fault(pw_step *step, const pw_frame *at, const pw_fault_facts *facts,
                       const pw_fault_result *result, pw_value problem, bool undone)
{
    pw_fault *row = PW_NEW(step->arena, pw_fault);
    row->task = facts->task;
    row->visit = at->visit;
    row->kind = pw_str_of(pw_fault_kind_name(facts->kind));
    row->error = pw_json_text(step->arena, problem, PW_JSON_COMPACT);
    row->class_ = pw_str_of(pw_error_class_name(facts->class_));
    row->attempt = facts->attempts;
    row->decision = undone                     ? PW_LIT("compensate")
                    : result->suspend_workflow ? PW_LIT("suspend")
                                               : PW_LIT("incident");
    row->resolution = undone ? PW_LIT("compensating") : (pw_str){ 0 };
    row->action = result->recommended_action;
    step->fault = row;
}

/* The frame stays, for who mends it; what it was made of begins anew with it. */
static void keep(pw_frame *at, pw_value problem)
{
    at->error = problem;
    at->timeout_ms = at->due_ms = PW_WAKE_NEVER;
    if (!at->task)
        return;
    at->phase = PHASE_FAULTED;
    if (pw_fault_is_unknown(at))
        return;
    at->items = at->args = (pw_value){ 0 };
    if (!at->doubt)
        at->key = (pw_str){ 0 };
}

void pw_fault_stop(pw_step *step, pw_frame *at, pw_value problem)
{
    if (at->task)
        pw_flow_close_inside(step, at, "the task failed");
    pw_fault_facts facts = facts_of(step, at, problem);
    facts.final = true; /* that is decided */
    facts.incidents = count_incident(step);
    add_endpoint(step, at, &facts);
    pw_fault_result result =
        step->again ? pw_again_stop(step) : pw_fault_decide(policy_of(step), &facts, step->arena);
    bool undone = pw_undo_on_fault(step, at); /* rather than wait for a person */
    if (!undone) {
        keep(at, problem);
        step->state->incident = true;
        if (!step->again)
            result.recommended_action = pw_undo_advice(step, at, result.recommended_action);
    }
    step->error = problem;
    push_fault(step, at, &facts, &result, problem, undone);
    PW_RECORD(step, "instance.faulted", NULL, { PW_LIT("error"), problem },
              { PW_LIT("fault"), pw_string_ref(step->fault->kind) },
              { PW_LIT("class"), pw_string_ref(step->fault->class_) },
              { PW_LIT("attempts"), pw_int(facts.attempts) },
              { PW_LIT("shouldRetry"), pw_bool(result.should_retry) },
              { PW_LIT("suspendWorkflow"), pw_bool(result.suspend_workflow && !undone) },
              { PW_LIT("requiresManualIntervention"),
                pw_bool(result.requires_manual_intervention && !undone) },
              { PW_LIT("undo"), step->state->undo_count ? pw_int((int64_t)step->state->undo_count) : (pw_value){ 0 } },
              { PW_LIT("recommendedAction"), pw_string_ref(result.recommended_action) });
    pw_record_lifecycle(step, PW_LIFE_FAULTED, problem);
    if (undone) {
        pw_undo_begin_whole(step, "faulted", problem);
        return;
    }
    if (result.suspend_workflow)
        suspend(step, &facts);
    else
        pw_remedy_open(step, at, problem, facts.attempts);
    pw_flow_end(step, result.suspend_workflow ? PW_SUSPENDED : PW_FAULTED);
}
