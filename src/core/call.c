/* call.c - tasks that something outside must do: an HTTP service, an activity.
 *
 * What is asked for is evaluated once, when the task begins, and committed; nothing is evaluated
 * again after a crash, nor for the next attempt. What becomes of one that fails is decided in
 * fault.c. A result that comes while the instance is asleep is kept in its frame until it wakes. */
#include "core/step.h"
#include "base/json.h"

/* The key names the visit by its path and what is asked by its content: the same over every
 * attempt, every crash and every retry of an enclosing try, as long as the same is asked (rule 10
 * of the design). */
static pw_str key_under(pw_str generation, pw_step *step, const pw_frame *frame, pw_str asked)
{
    uint8_t path[8];
    for (int i = 0; i < 8; i++)
        path[i] = (uint8_t)(frame->path >> (8 * i));
    pw_str parts[] = { generation,
                       step->identity->instance,
                       frame->task->pointer,
                       { (const char *)path, sizeof path },
                       asked };
    pw_digest digest = pw_digest_of(parts, PW_LENGTH(parts));
    char id[PW_ID_SIZE];
    pw_id_of_digest(id, &digest);
    return pw_arena_str(step->arena, pw_str_of(id));
}

/* The store may have been restored since the same was asked: then its key is still the one that it had, if it may have been done
 * under it, or the log says so. */
static pw_str idempotency_key(pw_step *step, const pw_frame *frame, pw_str asked)
{
    const pw_core_settings *settings = step->settings;
    pw_str had = frame->doubt ? frame->key : (pw_str){ 0 };
    if (step->again && !had.len)
        had = pw_again_key(step, frame);
    for (size_t i = 0; i < settings->past_count && had.len; i++)
        if (pw_str_eq(key_under(settings->past[i], step, frame, asked), had))
            return had;
    return key_under(settings->generation, step, frame, asked);
}

/* True, or the task has failed. */
static bool evaluate(pw_step *step, pw_frame *frame, const pw_template *with, pw_value *out)
{
    if (pw_task_with(step, frame, with, out))
        return true;
    pw_flow_raise(step, frame, step->thrown);
    return false;
}

void pw_call_settle(pw_step *step, pw_frame *frame, pw_value output, pw_value error)
{
    frame->phase = PHASE_PARKED; /* it holds nothing outside any more */
    if (pw_is_asleep(step->state)) {
        frame->error = error;
        if (!pw_fault_is_unknown(frame)) {
            frame->args = output;
            if (!frame->doubt && frame->task->kind != PW_TASK_RUN) /* else it names what was done */
                frame->key = (pw_str){ 0 };
        }
        PW_RECORD(step, "result.kept", frame, { PW_LIT("output"), output },
                  { PW_LIT("error"), error });
        return;
    }
    if (!pw_is(error, PW_NONE)) {
        pw_fault_raise(step, frame, error);
        return;
    }
    frame->class_ = 0;
    pw_flow_finish(step, frame, output);
}

/* ------------------------------------------------------------------ resilience */

pw_resilience pw_call_resilience(const pw_frame *frame)
{
    static const pw_resilience nothing;
    const pw_resilience *own = frame->task->resilience, *around = frame->around;
    pw_resilience r = own ? *own : around ? *around : nothing;
    if (!own || !around)
        return r;
    if (!r.retry)
        r.retry = around->retry;
    if (!r.timeout.given)
        r.timeout = around->timeout;
    if (r.on_unknown == PW_ON_UNKNOWN_DEFAULT)
        r.on_unknown = around->on_unknown;
    if (!r.service.len)
        r.service = around->service;
    r.failures = r.failures ? r.failures : around->failures;
    r.throughput = r.throughput ? r.throughput : around->throughput;
    r.window_ms = r.window_ms ? r.window_ms : around->window_ms;
    r.break_ms = r.break_ms ? r.break_ms : around->break_ms;
    r.fail_when_open = r.fail_when_open || around->fail_when_open;
    r.at_once = r.at_once ? r.at_once : around->at_once;
    r.per_second = r.per_second > 0 ? r.per_second : around->per_second;
    return r;
}

pw_on_unknown pw_call_on_unknown(const pw_frame *frame, const pw_core_settings *settings)
{
    pw_on_unknown said = pw_call_resilience(frame).on_unknown;
    if (said == PW_ON_UNKNOWN_DEFAULT)
        said = settings->on_unknown;
    return said == PW_ON_UNKNOWN_DEFAULT ? PW_ON_UNKNOWN_RESEND : said;
}

/* What one attempt may take, if the task says so. False: it cannot be computed, and the task has failed. */
static bool limit_attempts(pw_step *step, pw_frame *frame)
{
    pw_resilience r = pw_call_resilience(frame);
    bool own = frame->task->resilience && frame->task->resilience->timeout.given;
    if (!r.timeout.given && r.retry) { /* limit.attempt.duration, as of a try */
        own = frame->task->resilience && frame->task->resilience->retry;
        r.timeout = r.retry->attempt;
    }
    if (!r.timeout.given)
        return true;
    pw_duration limit;
    if (!pw_eval_delay(step, own ? frame : pw_call_function(frame), &r.timeout, &limit)) {
        pw_flow_raise(step, frame, step->thrown);
        return false;
    }
    int64_t now = step->event->now_ms;
    uint64_t ms = (uint64_t)(pw_duration_after(now, limit) - now);
    frame->limit_ms = ms > 0 ? ms : 1;
    return true;
}

pw_frame *pw_call_function(const pw_frame *frame)
{
    pw_frame *function = frame->parent;
    while (function && (!function->task || function->task->kind != PW_TASK_FUNCTION ||
                        function->task->resilience != frame->around))
        function = function->parent;
    return function;
}

/* ------------------------------------------------------------------ http */

static const pw_resilience *resilience_of(pw_step *step, const pw_frame *frame)
{
    if (!frame->task->resilience || !frame->around)
        return frame->task->resilience ? frame->task->resilience : frame->around;
    pw_resilience *both = PW_NEW(step->arena, pw_resilience);
    *both = pw_call_resilience(frame);
    return both;
}

/* Its own limit ends with the task's. */
static uint64_t time_left(const pw_frame *frame, int64_t from_ms)
{
    if (!frame->limit_ms || frame->timeout_ms == PW_WAKE_NEVER || frame->timeout_ms <= from_ms)
        return frame->limit_ms;
    uint64_t left = (uint64_t)(frame->timeout_ms - from_ms);
    return left < frame->limit_ms ? left : frame->limit_ms;
}

static pw_call_intent *push_intent(pw_step *step, pw_frame *frame)
{
    pw_call_intent *intent = PW_PUSH(step, calls, pw_call_intent);
    frame->phase = PHASE_CALL;
    intent->task = frame->task->pointer;
    intent->visit = frame->visit;
    intent->attempt = frame->attempt;
    intent->kind = PW_LIT("http");
    intent->key = frame->key;
    intent->timeout_ms = time_left(frame, step->event->now_ms);
    intent->resilience = resilience_of(step, frame);
    return intent;
}

void pw_call_http(pw_step *step, pw_frame *frame)
{
    pw_call_request request;
    if (!pw_http_render(step, frame, &request)) {
        pw_flow_raise(step, frame, step->thrown);
        return;
    }
    if (!limit_attempts(step, frame))
        return;
    frame->attempt = 1;
    if (frame->task->as.http.output == PW_HTTP_RESPONSE)
        frame->args = pw_http_request_value(step, &request);
    pw_str text = pw_call_request_text(step->arena, &request);
    pw_undo_asked_anew(step, frame, idempotency_key(step, frame, text));
    pw_call_intent *intent = push_intent(step, frame);
    intent->method = request.method;
    intent->endpoint = pw_http_endpoint(step->arena, request.uri);
    intent->request = text;
    PW_RECORD(step, "task.started", frame, { PW_LIT("method"), pw_string_ref(intent->method) },
              { PW_LIT("endpoint"), pw_string_ref(intent->endpoint) },
              { PW_LIT("idempotencyKey"), pw_string_ref(frame->key) });
}

static pw_call_outcome *push_outcome(pw_step *step, const pw_frame *frame, pw_call_state state)
{
    pw_call_outcome *outcome = PW_PUSH(step, outcomes, pw_call_outcome);
    outcome->visit = frame->visit;
    outcome->key = frame->key;
    outcome->state = state;
    return outcome;
}

/* Nobody knows whether the request had its effect, and it is not to be sent again by itself. */
static void outcome_is_unknown(pw_step *step, pw_frame *frame, const char *why)
{
    const pw_failure failure = {
        .problem = pw_problem(step, frame, "communication", 502,
                              "the outcome of the call is unknown", "%s", why),
        .class_ = PW_CLASS_UNKNOWN,
        .final = true,
    };
    pw_fault_attempt(step, frame, &failure);
}

/* Else step->thrown is the problem. Out of the log it has been read already. */
static bool read_result(pw_step *step, pw_frame *frame, const pw_call_result *result, pw_value *output)
{
    bool good;
    if (step->again) {
        good = pw_is(step->event->error, PW_NONE);
        *output = step->event->payload;
        step->thrown = step->event->error;
    } else {
        good = pw_http_read(step, frame, result, output);
    }
    if (good)
        step->took = *output;
    else
        step->took_error = step->thrown;
    return good;
}

/* No answer, but perhaps a request. */
static bool may_have_arrived(const pw_call_result *result)
{
    bool refused = result->class_ == PW_CLASS_FORBIDDEN || result->class_ == PW_CLASS_OPEN ||
                   result->class_ == PW_CLASS_ARGUMENT;
    return !result->answered && !result->unsent && (result->timed_out || !refused);
}

void pw_call_http_result(pw_step *step, pw_frame *frame, const pw_call_result *result)
{
    pw_value output = { 0 };
    bool good = read_result(step, frame, result, &output);
    pw_error_class class_ = result->answered    ? pw_error_class_of_answer(result->status)
                            : result->timed_out ? PW_CLASS_TIMEOUT
                                                : result->class_;
    bool unknown = !result->answered && !result->unsent &&
                   (class_ == PW_CLASS_TIMEOUT || class_ == PW_CLASS_CONNECTION) &&
                   pw_call_on_unknown(frame, step->settings) != PW_ON_UNKNOWN_RESEND;
    pw_call_outcome *outcome = push_outcome(step, frame,
                                            good                ? PW_CALL_COMPLETED
                                            : unknown           ? PW_CALL_UNKNOWN
                                            : result->timed_out ? PW_CALL_TIMED_OUT
                                                                : PW_CALL_FAILED);
    outcome->outcome = pw_http_outcome(step, result);
    outcome->duration_ms = result->duration_ms;
    /* An error that answers what was sent twice says nothing of the first one. */
    frame->doubt = frame->doubt || good || result->resent || may_have_arrived(result);
    if (good) {
        pw_call_settle(step, frame, output, (pw_value){ 0 });
    } else if (unknown) {
        outcome_is_unknown(step, frame, class_ == PW_CLASS_TIMEOUT
                                            ? "the request was sent, and no answer came in time"
                                            : "the connection broke after the request was sent");
    } else {
        const pw_failure failure = {
            .problem = step->thrown,
            .class_ = class_,
            .retry_after_ms = pw_http_retry_after(result, step->event->now_ms),
        };
        pw_fault_attempt(step, frame, &failure);
    }
}

void pw_call_http_lost(pw_step *step, pw_frame *frame)
{
    static const char why[] = "the process that had sent it ended before an answer came";
    bool resend = pw_call_on_unknown(frame, step->settings) == PW_ON_UNKNOWN_RESEND;
    push_outcome(step, frame, resend ? PW_CALL_FAILED : PW_CALL_UNKNOWN);
    frame->doubt = true;
    if (!resend) {
        outcome_is_unknown(step, frame, why);
        return;
    }
    const pw_failure failure = {
        .problem = pw_problem(step, frame, "communication", 502, "the call was lost", "%s", why),
        .class_ = PW_CLASS_LOST,
    };
    pw_fault_attempt(step, frame, &failure);
}

/* Nobody waits for this answer any more: it is written down, and changes nothing. */
void pw_call_http_late(pw_step *step, const pw_event *event)
{
    PW_RECORD(
        step, "call.late", NULL, { PW_LIT("visit"), pw_int((int64_t)event->visit) },
        { PW_LIT("status"), event->call.answered ? pw_int(event->call.status) : (pw_value){ 0 } },
        { PW_LIT("error"),
          event->call.answered
              ? (pw_value){ 0 }
              : pw_string(step->arena, pw_utf8_valid(event->call.error) ? event->call.error
                                                                        : PW_LIT("no answer")) });
}

/* ------------------------------------------------------------------ activities */

/* One attempt may take as long as its task, or as it says itself. */
static pw_work work_of(const pw_frame *frame, pw_str input)
{
    bool limited = frame->timeout_ms != PW_WAKE_NEVER && frame->timeout_ms > frame->started_ms;
    uint64_t all_ms = limited ? (uint64_t)(frame->timeout_ms - frame->started_ms) : 0;
    return (pw_work){ .visit = frame->visit,
                      .attempt = frame->attempt,
                      .task = frame->task->pointer,
                      .function = frame->task->as.call.name,
                      .input = input,
                      .key = frame->key,
                      .priority = frame->task->as.call.priority,
                      .timeout_ms =
                          frame->limit_ms ? time_left(frame, frame->started_ms) : all_ms };
}

pw_work pw_call_work_of(const pw_frame *frame, pw_arena *arena)
{
    pw_work work = work_of(frame, pw_json_text(arena, frame->args, PW_JSON_COMPACT));
    if (!pw_is(frame->error, PW_NONE))
        work.last_error = pw_json_text(arena, frame->error, PW_JSON_COMPACT);
    return work;
}

void pw_call_activity(pw_step *step, pw_frame *frame)
{
    pw_value with;
    if (!evaluate(step, frame, frame->task->as.call.with, &with) || !limit_attempts(step, frame))
        return;
    frame->args = with;
    frame->phase = PHASE_WORK;
    frame->attempt = 1;
    pw_str name = frame->task->as.call.name;
    pw_str asked = pw_arena_printf(step->arena, PW_FMT " ", PW_ARG(name));
    pw_str input = pw_json_text(step->arena, with, PW_JSON_COMPACT);
    char *text = pw_arena_alloc(step->arena, asked.len + input.len + 1);
    memcpy(text, asked.ptr, asked.len);
    memcpy(text + asked.len, input.ptr, input.len);
    pw_undo_asked_anew(step, frame,
                       idempotency_key(step, frame, (pw_str){ text, asked.len + input.len }));
    PW_RECORD(step, "task.started", frame, { PW_LIT("function"), pw_string_ref(name) },
              { PW_LIT("input"), with });
    pw_work *work = PW_PUSH(step, work, pw_work);
    *work = work_of(frame, input);
}

static pw_value activity_problem(pw_step *step, const pw_frame *frame, pw_value error)
{
    int64_t status;
    if (!pw_integer(pw_get_lit(error, "status"), &status) || status < 100 || status > 599)
        status = 500;
    pw_str title = pw_get_text(error, "title"), type = pw_get_text(error, "type");
    pw_str base = step->program->error_base;
    const char *suffix = status == 408 ? "timeout" : "runtime";
    pw_member members[] = {
        { PW_LIT("type"), type.len ? pw_string_ref(type)
                                   : pw_string_ref(pw_arena_printf(step->arena, PW_FMT "%s",
                                                                   PW_ARG(base), suffix)) },
        { PW_LIT("status"), pw_int(status) },
        { PW_LIT("title"),
          title.len ? pw_string_ref(title) : pw_string_ref(PW_LIT("the activity failed")) },
        { PW_LIT("detail"), pw_str_value(pw_get_text(error, "detail")) },
        { PW_LIT("instance"), pw_string_ref(frame->task->pointer) },
    };
    return pw_object_of(step->arena, members, PW_LENGTH(members));
}

void pw_call_activity_result(pw_step *step, pw_frame *frame, pw_value result)
{
    step->took = pw_copy(step->arena, result);
    frame->doubt = true; /* until it is over: its output may not fit */
    pw_call_settle(step, frame, step->took, (pw_value){ 0 });
}

void pw_call_activity_failed(pw_step *step, pw_frame *frame, pw_value error)
{
    const pw_event *event = step->event;
    pw_value problem = activity_problem(step, frame, pw_copy(step->arena, error));
    step->took_error = problem;
    pw_failure failure = { .problem = problem, .retry_after_ms = event->retry_after_ms };
    switch (event->retry) {
    case PW_RETRY_BY_CLASS:
        failure.class_ = pw_error_class_of_activity(pw_problem_status(problem));
        break;
    case PW_RETRY_YES:
        failure.class_ = PW_CLASS_OTHER;
        break;
    case PW_RETRY_NO:
        failure.class_ = PW_CLASS_BUSINESS;
        failure.final = true;
        break;
    }
    if (pw_error_class_of_activity(pw_problem_status(problem)) == PW_CLASS_TIMEOUT)
        frame->doubt = true;
    pw_fault_attempt(step, frame, &failure);
}

void pw_call_activity_lost(pw_step *step, pw_frame *frame)
{
    const pw_failure failure = {
        .problem = pw_problem(step, frame, "runtime", 500, "the activity was lost too often",
                              "%u attempts of '" PW_FMT
                              "' ended with the process that ran them",
                              frame->attempt, PW_ARG(frame->task->as.call.name)),
        .class_ = PW_CLASS_LOST,
    };
    frame->doubt = true;
    pw_fault_attempt(step, frame, &failure);
}

/* ------------------------------------------------------------------ the next attempt */

void pw_call_again(pw_step *step, pw_frame *frame)
{
    frame->attempt++;
    frame->due_ms = PW_WAKE_NEVER;
    PW_RECORD(step, "attempt.started", frame, { PW_LIT("attempt"), pw_int(frame->attempt) });
    pw_record_task(step, PW_LIFE_RETRIED, frame, (pw_value){ 0 });
    if (frame->task->kind == PW_TASK_HTTP) {
        frame->error = (pw_value){ 0 };
        push_intent(step, frame)->again = true;
    } else {
        if (pw_fault_is(frame, PW_CLASS_LOST))
            frame->error = (pw_value){ 0 }; /* the worker did not give it */
        frame->phase = PHASE_WORK;
        *PW_PUSH(step, work, pw_work) = pw_call_work_of(frame, step->arena);
    }
    frame->class_ = 0;
}
