/* call.c - tasks that something outside must do: an HTTP service, an activity.
 *
 * What is asked for is evaluated once, when the task begins, and committed; nothing is evaluated
 * again after a crash. A result that comes while the instance is suspended is kept in its frame
 * until it goes on. */
#include "core/step.h"
#include "base/json.h"

/* The key names the visit by its path and what is asked by its content: the same over every
 * attempt, every crash and every retry of an enclosing try, as long as the same is asked (rule 10
 * of the design). */
static pw_str idempotency_key(pw_step *step, const pw_frame *frame, pw_str asked)
{
    uint8_t path[8];
    for (int i = 0; i < 8; i++)
        path[i] = (uint8_t)(frame->path >> (8 * i));
    pw_str parts[] = { step->settings->generation,
                       step->identity->instance,
                       frame->task->pointer,
                       { (const char *)path, sizeof path },
                       asked };
    pw_digest digest = pw_digest_of(parts, PW_LENGTH(parts));
    char id[PW_ID_SIZE];
    pw_id_of_digest(id, &digest);
    return pw_arena_str(step->arena, pw_str_of(id));
}

/* True, or the task has failed. */
static bool evaluate(pw_step *step, pw_frame *frame, const pw_template *with, pw_value *out)
{
    *out = pw_object_of(step->arena, NULL, 0);
    if (!with || pw_eval_template(step, frame, with, frame->input, (pw_value){ 0 }, out))
        return true;
    pw_flow_raise(step, frame, step->thrown);
    return false;
}

void pw_call_settle(pw_step *step, pw_frame *frame, pw_value output, pw_value error)
{
    if (step->state->status == PW_SUSPENDED) {
        frame->phase = PHASE_PARKED;
        frame->args = output;
        frame->error = error;
        frame->key = (pw_str){ 0 };
        PW_RECORD(step, "result.kept", frame, { PW_LIT("output"), output },
                  { PW_LIT("error"), error });
        return;
    }
    frame->phase = PHASE_PARKED; /* it holds nothing outside any more */
    if (pw_is(error, PW_NONE))
        pw_flow_finish(step, frame, output);
    else
        pw_flow_raise(step, frame, error);
}

/* ------------------------------------------------------------------ http */

static pw_str endpoint_of(pw_step *step, pw_str uri)
{
    size_t end = 0;
    while (end < uri.len && uri.ptr[end] != '?' && uri.ptr[end] != '#')
        end++;
    return pw_arena_str(step->arena, (pw_str){ uri.ptr, end });
}

void pw_call_http(pw_step *step, pw_frame *frame)
{
    pw_call_request request;
    if (!pw_http_render(step, frame, &request)) {
        pw_flow_raise(step, frame, step->thrown);
        return;
    }
    pw_call_intent *intent = PW_PUSH(step, calls, pw_call_intent);
    frame->phase = PHASE_CALL;
    frame->attempt = 1;
    if (frame->task->as.http.output == PW_HTTP_RESPONSE)
        frame->args = pw_http_request_value(step, &request);
    intent->task = frame->task->pointer;
    intent->visit = frame->visit;
    intent->attempt = frame->attempt;
    intent->kind = PW_LIT("http");
    intent->method = request.method;
    intent->endpoint = endpoint_of(step, request.uri);
    intent->request = pw_call_request_text(step->arena, &request);
    frame->key = idempotency_key(step, frame, intent->request);
    intent->key = frame->key;
    PW_RECORD(step, "task.started", frame, { PW_LIT("method"), pw_string_ref(intent->method) },
              { PW_LIT("endpoint"), pw_string_ref(intent->endpoint) },
              { PW_LIT("idempotencyKey"), pw_string_ref(frame->key) });
}

void pw_call_http_result(pw_step *step, pw_frame *frame, const pw_call_result *result)
{
    pw_value output = { 0 }, error = { 0 };
    bool good = pw_http_read(step, frame, result, &output);
    if (!good)
        error = step->thrown;
    pw_call_outcome *outcome = PW_PUSH(step, outcomes, pw_call_outcome);
    outcome->visit = frame->visit;
    outcome->key = frame->key;
    outcome->state = good                ? PW_CALL_COMPLETED
                     : result->timed_out ? PW_CALL_TIMED_OUT
                                         : PW_CALL_FAILED;
    outcome->outcome = pw_http_outcome(step, result);
    outcome->duration_ms = result->duration_ms;
    pw_call_settle(step, frame, good ? output : (pw_value){ 0 }, error);
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

/* One attempt may take as long as its task. */
static pw_work work_of(const pw_frame *frame, pw_str input)
{
    bool limited = frame->timeout_ms != PW_WAKE_NEVER && frame->timeout_ms > frame->started_ms;
    return (pw_work){ .visit = frame->visit,
                      .attempt = frame->attempt,
                      .task = frame->task->pointer,
                      .function = frame->task->as.call.name,
                      .input = input,
                      .key = frame->key,
                      .priority = frame->task->as.call.priority,
                      .timeout_ms =
                          limited ? (uint64_t)(frame->timeout_ms - frame->started_ms) : 0 };
}

pw_work pw_call_work_of(const pw_frame *frame, pw_arena *arena)
{
    pw_work work = work_of(frame, pw_json_text(arena, frame->args, PW_JSON_COMPACT));
    if (!pw_is(frame->error, PW_NONE))
        work.last_error = pw_json_text(arena, frame->error, PW_JSON_COMPACT);
    return work;
}

void pw_call_hand_out(pw_step *step, pw_frame *frame)
{
    pw_work *work = PW_PUSH(step, work, pw_work);
    *work = pw_call_work_of(frame, step->arena);
}

void pw_call_activity(pw_step *step, pw_frame *frame)
{
    pw_value with;
    if (!evaluate(step, frame, frame->task->as.call.with, &with))
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
    frame->key = idempotency_key(step, frame, (pw_str){ text, asked.len + input.len });
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
    pw_call_settle(step, frame, pw_copy(step->arena, result), (pw_value){ 0 });
}

/* The next attempt, if one is left. */
static bool try_again(pw_step *step, pw_frame *frame, pw_value error)
{
    if (frame->attempt > PW_LOST_ATTEMPTS)
        return false;
    frame->attempt++;
    frame->error = error;
    if (step->state->status != PW_SUSPENDED)
        pw_call_hand_out(step, frame);
    return true;
}

void pw_call_activity_failed(pw_step *step, pw_frame *frame, pw_value error, bool retryable)
{
    pw_value problem = activity_problem(step, frame, pw_copy(step->arena, error));
    if (retryable)
        PW_RECORD(step, "attempt.failed", frame, { PW_LIT("attempt"), pw_int(frame->attempt) },
                  { PW_LIT("error"), problem });
    if (!retryable || !try_again(step, frame, problem))
        pw_call_settle(step, frame, (pw_value){ 0 }, problem);
}

void pw_call_activity_lost(pw_step *step, pw_frame *frame)
{
    PW_RECORD(step, "attempt.lost", frame, { PW_LIT("attempt"), pw_int(frame->attempt) });
    if (try_again(step, frame, (pw_value){ 0 }))
        return;
    pw_call_settle(step, frame, (pw_value){ 0 },
                   pw_problem(step, frame, "runtime", 500, "the activity was lost too often",
                              "%u attempts of '" PW_FMT
                              "' ended with the process that ran them",
                              frame->attempt, PW_ARG(frame->task->as.call.name)));
}
