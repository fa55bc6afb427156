/* catch.c - what a try makes of an error inside it: retry, handle, go on, or let it pass.
 *
 * Order (dsl A-05): the static filter, exceptWhen, when; then the retry policy, and only once it is
 * used up the handler; a retry that is used up without a handler lets the error pass. */
#include "core/step.h"

static bool text_matches(pw_str wanted, pw_value error, const char *member)
{
    return !wanted.ptr || pw_str_eq(wanted, pw_get_text(error, member));
}

static bool filter_matches(const pw_task *task, pw_value error)
{
    if (!task->as.attempt.has_errors)
        return true;
    if (task->as.attempt.type.ptr &&
        !pw_error_type_eq(task->as.attempt.type, pw_get_text(error, "type")))
        return false;
    if (task->as.attempt.status >= 0 && task->as.attempt.status != pw_problem_status(error))
        return false;
    return text_matches(task->as.attempt.title, error, "title") &&
           text_matches(task->as.attempt.detail, error, "detail") &&
           text_matches(task->as.attempt.instance, error, "instance");
}

/* Both conditions of a catch or a retry policy. False: one of them failed, step->thrown says how.
 */
static bool conditions(pw_step *step, pw_frame *frame, const pw_expr *when, const pw_expr *except,
                       pw_value error, bool *out)
{
    bool excepted = false, wanted = true;
    if (except && !pw_eval_true(step, frame, except, error, &excepted))
        return false;
    if (!excepted && when && !pw_eval_true(step, frame, when, error, &wanted))
        return false;
    *out = !excepted && wanted;
    return true;
}

static bool delay_ms(pw_step *step, pw_frame *frame, const pw_delay *delay, uint64_t *out)
{
    *out = 0;
    if (!delay->given)
        return true;
    pw_duration duration;
    if (!pw_eval_delay(step, frame, delay, &duration))
        return false;
    int64_t now = step->event->now_ms;
    *out = (uint64_t)(pw_duration_after(now, duration) - now);
    return true;
}

bool pw_retry_settings_of(pw_step *step, pw_frame *frame, const pw_retry_policy *policy,
                          pw_value error, bool *applies, pw_retry_settings *out)
{
    *out = (pw_retry_settings){ .backoff = policy->backoff,
                                .factor = policy->factor,
                                .count = policy->count };
    if (!conditions(step, frame, policy->when, policy->except_when, error, applies))
        return false;
    return !*applies || (delay_ms(step, frame, &policy->delay, &out->delay_ms) &&
                         delay_ms(step, frame, &policy->delay_max, &out->delay_ms_max) &&
                         delay_ms(step, frame, &policy->jitter_from, &out->jitter_ms_from) &&
                         delay_ms(step, frame, &policy->jitter_to, &out->jitter_ms_to) &&
                         delay_ms(step, frame, &policy->total, &out->total_ms));
}

/* True and *again, or false: an expression failed. */
static bool retry_wanted(pw_step *step, pw_frame *frame, pw_value error, bool *again,
                         uint64_t *delay)
{
    const pw_retry_policy *policy = frame->task->as.attempt.retry;
    *again = false;
    if (!policy)
        return true;
    bool applies;
    pw_retry_settings settings;
    if (!pw_retry_settings_of(step, frame, policy, error, &applies, &settings))
        return false;
    if (!applies)
        return true;
    pw_retry_history history = { .retries = frame->attempt,
                                 .first_ms = frame->first_ms,
                                 .now_ms = step->event->now_ms,
                                 .seed = pw_seed_next(&step->seed) };
    *again = pw_retry_next(delay, &settings, &history);
    return true;
}

pw_catch pw_catch_decide(pw_step *step, pw_frame *frame, pw_value *problem)
{
    pw_catch decision = { .kind = CATCH_NOT };
    const pw_task *task = frame->task;
    if (!filter_matches(task, *problem))
        return decision;
    pw_value before = frame->error;
    frame->error = *problem; /* $error, or what catch.as calls it */
    bool caught = false, again = false;
    bool sound = conditions(step, frame, task->as.attempt.when, task->as.attempt.except_when,
                            *problem, &caught) &&
                 (!caught || retry_wanted(step, frame, *problem, &again, &decision.delay_ms));
    frame->error = before;
    decision.failed = !sound;
    if (!sound)
        *problem = step->thrown; /* that error goes outward from here */
    else if (again)
        decision.kind = CATCH_RETRY;
    else if (caught && task->as.attempt.has_handler)
        decision.kind = CATCH_HANDLE;
    else if (caught && !task->as.attempt.retry)
        decision.kind = CATCH_GO_ON;
    return decision;
}

static void wait_for_retry(pw_step *step, pw_frame *frame, uint64_t delay)
{
    int64_t now = step->event->now_ms;
    frame->due_ms = delay > (uint64_t)(INT64_MAX - now) ? INT64_MAX : now + (int64_t)delay;
    frame->key = pw_arena_printf(step->arena, PW_FMT "-retry-%u",
                                 PW_ARG(pw_bookmark_key(step, frame)), frame->attempt);
    pw_bookmark *bookmark = PW_PUSH(step, bookmarks, pw_bookmark);
    bookmark->kind = PW_BOOKMARK_TIMER;
    bookmark->task = frame->task->pointer;
    bookmark->visit = frame->visit;
    bookmark->key = frame->key;
    bookmark->due_at = frame->due_ms;
}

void pw_catch_act(pw_step *step, pw_frame *frame, const pw_catch *decision, pw_value problem)
{
    const pw_task *task = frame->task;
    PW_ASSERT(decision->kind != CATCH_NOT);
    frame->due_ms = PW_WAKE_NEVER;
    frame->error = problem;
    switch (decision->kind) {
    case CATCH_RETRY:
        frame->phase = PHASE_RETRY;
        frame->attempt++;
        PW_RECORD(step, "task.retried", frame, { PW_LIT("retry"), pw_int(frame->attempt) },
                  { PW_LIT("delayMs"), pw_int((int64_t)decision->delay_ms) },
                  { PW_LIT("error"), problem });
        if (decision->delay_ms == 0)
            pw_task_retry(step, frame);
        else
            wait_for_retry(step, frame, decision->delay_ms);
        return;
    case CATCH_HANDLE:
        frame->phase = PHASE_HANDLER;
        PW_RECORD(step, "task.caught", frame, { PW_LIT("error"), problem });
        pw_flow_start_list(step, frame, frame->input);
        return;
    case CATCH_GO_ON:
        PW_RECORD(step, "task.caught", frame, { PW_LIT("error"), problem });
        pw_flow_finish_then(step, frame, frame->input,
                            task->as.attempt.has_then ? task->as.attempt.then : task->then);
        return;
    case CATCH_NOT:
        break;
    }
}
