/* tasks.c - what each kind of task does when it begins. */
#include "core/step.h"

static unsigned depth_of(const pw_frame *frame)
{
    unsigned depth = 0;
    while ((frame = frame->parent))
        depth++;
    return depth;
}

static void begin_set(pw_step *step, pw_frame *frame)
{
    pw_value output;
    if (pw_eval_template(step, frame, frame->task->as.set, frame->input, (pw_value){ 0 }, &output))
        pw_flow_finish(step, frame, output);
    else
        pw_flow_raise(step, frame, step->thrown);
}

static void begin_switch(pw_step *step, pw_frame *frame)
{
    const pw_task *task = frame->task;
    pw_flow then = task->then;
    for (uint32_t i = 0; i < task->as.choice.count; i++) {
        const pw_case *choice = &task->as.choice.cases[i];
        if (!choice->when) {
            then = choice->then; /* stays, unless a case after it matches */
            continue;
        }
        bool matches;
        if (!pw_eval_true(step, frame, choice->when, frame->input, &matches)) {
            pw_flow_raise(step, frame, step->thrown);
            return;
        }
        if (matches) {
            then = choice->then;
            break;
        }
    }
    pw_flow_finish_then(step, frame, frame->input, then);
}

/* ------------------------------------------------------------------ for */

static void begin_for(pw_step *step, pw_frame *frame)
{
    pw_value items;
    if (!pw_eval_template(step, frame, frame->task->as.loop.in, frame->input, (pw_value){ 0 },
                          &items)) {
        pw_flow_raise(step, frame, step->thrown);
        return;
    }
    if (pw_is(items, PW_NULL))
        items = pw_array_ref(NULL, 0);
    if (!pw_is(items, PW_ARRAY) || items.count > PW_LOOP_ITEMS_MAX) {
        const char *what =
            pw_is(items, PW_ARRAY) ? "an array of more than 1000000 items" : pw_type_name(items);
        pw_flow_raise(step, frame,
                      pw_problem(step, frame, "expression", 400, "not a list to go through",
                                 "for.in must give an array, not %s", what));
        return;
    }
    frame->items = items;
    frame->at = 0;
    PW_RECORD(step, "task.started", frame, { PW_LIT("items"), pw_int(items.count) });
    if (frame->task->as.loop.body.count == 0)
        pw_flow_finish(step, frame, frame->input);
    else
        pw_task_next_item(step, frame, frame->input);
}

void pw_task_next_item(pw_step *step, pw_frame *frame, pw_value data)
{
    const pw_task *task = frame->task;
    bool go_on = frame->at < frame->items.count;
    if (go_on && task->as.loop.while_ &&
        !pw_eval_true(step, frame, task->as.loop.while_, data, &go_on)) {
        pw_flow_raise(step, frame, step->thrown);
        return;
    }
    if (go_on)
        pw_flow_start_list(step, frame, data);
    else
        pw_flow_finish(step, frame, data);
}

/* ------------------------------------------------------------------ try, function */

/* The limit of one attempt, from now. False: it cannot be computed, and the try has failed. */
static bool start_attempt(pw_step *step, pw_frame *frame)
{
    const pw_retry_policy *retry = frame->task->as.attempt.retry;
    frame->phase = PHASE_BODY;
    frame->error = (pw_value){ 0 };
    frame->due_ms = PW_WAKE_NEVER;
    if (!retry || !retry->attempt.given)
        return true;
    pw_duration limit;
    if (!pw_eval_delay(step, frame, &retry->attempt, &limit)) {
        pw_flow_raise(step, frame, step->thrown);
        return false;
    }
    frame->due_ms = pw_duration_after(step->event->now_ms, limit);
    return true;
}

static void begin_try(pw_step *step, pw_frame *frame)
{
    frame->first_ms = step->event->now_ms;
    PW_RECORD(step, "task.started", frame, { PW_LIT("attempt"), pw_int(1) });
    if (start_attempt(step, frame))
        pw_flow_start_list(step, frame, frame->input);
}

void pw_task_retry(pw_step *step, pw_frame *frame)
{
    PW_RECORD(step, "task.started", frame, { PW_LIT("attempt"), pw_int(frame->attempt + 1) });
    pw_record_task(step, PW_LIFE_RETRIED, frame, (pw_value){ 0 });
    if (start_attempt(step, frame))
        pw_flow_start_list(step, frame, frame->input);
}

static void begin_function(pw_step *step, pw_frame *frame)
{
    const pw_task *task = frame->task;
    if (depth_of(frame) > PW_SCOPES_MAX - PW_NESTING_MAX - 4) {
        pw_flow_raise(step, frame,
                      pw_problem(step, frame, "runtime", 500, "functions call each other too deep",
                                 "at most %u scopes may be open inside each other", PW_SCOPES_MAX));
        return;
    }
    pw_value with;
    if (!pw_task_with(step, frame, task->as.call.with, &with)) {
        pw_flow_raise(step, frame, step->thrown);
        return;
    }
    PW_RECORD(step, "task.started", frame,
              { PW_LIT("function"), pw_string_ref(task->as.call.name) });
    pw_flow_spawn(step, frame, task->as.call.body, with);
}

/* ------------------------------------------------------------------ raise, wait, emit */

static bool render_error(pw_step *step, pw_frame *frame, pw_value *out)
{
    const pw_error_template *error = &frame->task->as.error;
    pw_value pointer = pw_string_ref(frame->task->pointer);
    if (error->whole) {
        pw_value whole;
        if (!pw_eval(step, frame, error->whole, frame->input, (pw_value){ 0 }, &whole))
            return false;
        int64_t status;
        if (!pw_get_text(whole, "type").len || !pw_integer(pw_get_lit(whole, "status"), &status)) {
            step->thrown = pw_problem(step, frame, "expression", 400, "not an error to raise",
                                      "raise.error must give an object with 'type' (a text) and "
                                      "'status' (an integer), not %s",
                                      pw_type_name(whole));
            return false;
        }
        *out = pw_is(pw_get_lit(whole, "instance"), PW_NONE)
                   ? pw_with(step->arena, whole, PW_LIT("instance"), pointer)
                   : whole;
        return true;
    }
    pw_value type = pw_string_ref(error->type), title = { 0 }, detail = { 0 };
    if (error->type_computed &&
        !pw_eval_template(step, frame, error->type_computed, frame->input, (pw_value){ 0 }, &type))
        return false;
    if (error->title &&
        !pw_eval_template(step, frame, error->title, frame->input, (pw_value){ 0 }, &title))
        return false;
    if (error->detail &&
        !pw_eval_template(step, frame, error->detail, frame->input, (pw_value){ 0 }, &detail))
        return false;
    if (!pw_is(type, PW_STRING)) {
        step->thrown = pw_problem(step, frame, "expression", 400, "not an error to raise",
                                  "error.type must be a text, not %s", pw_type_name(type));
        return false;
    }
    pw_member members[] = {
        { PW_LIT("type"), type },        { PW_LIT("status"), pw_int(error->status) },
        { PW_LIT("title"), title },      { PW_LIT("detail"), detail },
        { PW_LIT("instance"), pointer },
    };
    *out = pw_object_of(step->arena, members, PW_LENGTH(members));
    return true;
}

static void begin_raise(pw_step *step, pw_frame *frame)
{
    pw_value problem;
    pw_flow_raise(step, frame, render_error(step, frame, &problem) ? problem : step->thrown);
}

static void begin_wait(pw_step *step, pw_frame *frame)
{
    pw_duration duration;
    if (!pw_eval_delay(step, frame, &frame->task->as.wait, &duration)) {
        pw_flow_raise(step, frame, step->thrown);
        return;
    }
    int64_t due = pw_duration_after(step->event->now_ms, duration);
    if (due <= step->event->now_ms) {
        pw_flow_finish(step, frame, frame->input);
        return;
    }
    frame->phase = PHASE_TIMER;
    frame->due_ms = due;
    frame->key = pw_bookmark_key(step, frame);
    pw_bookmark *bookmark = PW_PUSH(step, bookmarks, pw_bookmark);
    bookmark->kind = PW_BOOKMARK_TIMER;
    bookmark->task = frame->task->pointer;
    bookmark->visit = frame->visit;
    bookmark->key = frame->key;
    bookmark->due_at = due;
    PW_RECORD(step, "task.started", frame, { PW_LIT("key"), pw_string_ref(frame->key) },
              { PW_LIT("dueAt"), pw_moment_value(step->arena, due) });
}

static void begin_emit(pw_step *step, pw_frame *frame)
{
    pw_value with, event;
    if (pw_task_with(step, frame, frame->task->as.event, &with) &&
        pw_record_event(step, frame, with, &event)) {
        PW_RECORD(step, "event.emitted", frame, { PW_LIT("event"), event });
        pw_flow_finish(step, frame, event);
    } else {
        pw_flow_raise(step, frame, step->thrown);
    }
}

/* ------------------------------------------------------------------ begin */

/* False: it cannot be computed, and the task has failed. */
static bool start_clock(pw_step *step, pw_frame *frame)
{
    pw_duration timeout;
    if (!frame->task->timeout.given)
        return true;
    if (!pw_eval_delay(step, frame, &frame->task->timeout, &timeout)) {
        pw_flow_raise(step, frame, step->thrown);
        return false;
    }
    frame->timeout_ms = pw_duration_after(step->event->now_ms, timeout);
    return true;
}

/* A step of a compensation plan: its `if` and its arguments were evaluated when there was something to undo. What
 * undoes a child is the task that has run it, whose timeout is not meant. */
static bool prepare_step(pw_step *step, pw_frame *frame)
{
    frame->phase = PHASE_BODY;
    frame->started_ms = step->event->now_ms;
    frame->input = frame->raw;
    frame->raw = (pw_value){ 0 };
    pw_undo_begin(step, frame);
    pw_record_task(step, PW_LIFE_CREATED, frame, (pw_value){ 0 });
    pw_record_task(step, PW_LIFE_STARTED, frame, (pw_value){ 0 });
    if (!pw_is(frame->input, PW_OBJECT)) {
        pw_flow_raise(step, frame,
                      pw_problem(step, frame, "expression", 400, "there are no arguments to undo it with",
                                 "they could not be evaluated when the task ended; retry with --input"));
        return false;
    }
    return !frame->task->undoes || start_clock(step, frame);
}

/* if, timeout, input.from: in this order. False: the task is over already. One that is skipped has
 * no lifecycle: the language has no word for it. */
static bool prepare(pw_step *step, pw_frame *frame)
{
    const pw_task *task = frame->task;
    if (pw_undo_is_step(frame))
        return prepare_step(step, frame);
    frame->phase = PHASE_BODY;
    frame->started_ms = step->event->now_ms;
    frame->input = frame->raw;
    bool run = true;
    bool known = !task->condition || pw_eval_true(step, frame, task->condition, frame->raw, &run);
    if (known && !run) {
        pw_flow_skip(step, frame, "if");
        return false;
    }
    pw_record_task(step, PW_LIFE_CREATED, frame, (pw_value){ 0 });
    if (!known) {
        pw_flow_raise(step, frame, step->thrown);
        return false;
    }
    pw_record_task(step, PW_LIFE_STARTED, frame, (pw_value){ 0 });
    if (!start_clock(step, frame))
        return false;
    if (task->schemas && !pw_data_fits(step, frame, task->schemas->input, frame->raw, "input")) {
        pw_flow_raise(step, frame, step->thrown);
        return false;
    }
    if (!task->input_from) {
        frame->raw = (pw_value){ 0 }; /* the same as input */
        return true;
    }
    if (pw_eval_template(step, frame, task->input_from, frame->raw, (pw_value){ 0 }, &frame->input))
        return true;
    pw_flow_raise(step, frame, step->thrown);
    return false;
}

void pw_task_begin(pw_step *step, pw_frame *frame)
{
    if (!prepare(step, frame))
        return;
    switch (frame->task->kind) {
    case PW_TASK_DO:
        PW_RECORD(step, "task.started", frame,
                  { PW_LIT("tasks"), pw_int(frame->task->as.body.count) });
        pw_flow_start_list(step, frame, frame->input);
        return;
    case PW_TASK_SET:
        begin_set(step, frame);
        return;
    case PW_TASK_SWITCH:
        begin_switch(step, frame);
        return;
    case PW_TASK_FOR:
        begin_for(step, frame);
        return;
    case PW_TASK_FORK:
        pw_fork_begin(step, frame);
        return;
    case PW_TASK_TRY:
        begin_try(step, frame);
        return;
    case PW_TASK_RAISE:
        begin_raise(step, frame);
        return;
    case PW_TASK_WAIT:
        begin_wait(step, frame);
        return;
    case PW_TASK_EMIT:
        begin_emit(step, frame);
        return;
    case PW_TASK_HTTP:
        pw_call_http(step, frame);
        return;
    case PW_TASK_USER:
        pw_user_begin(step, frame);
        return;
    case PW_TASK_FUNCTION:
        begin_function(step, frame);
        return;
    case PW_TASK_ACTIVITY:
        pw_call_activity(step, frame);
        return;
    case PW_TASK_LISTEN:
        pw_listen_begin(step, frame);
        return;
    case PW_TASK_RUN:
        pw_child_begin(step, frame);
        return;
    case PW_TASK_SCHEDULE:
        pw_schedule_begin(step, frame);
        return;
    case PW_TASK_COMPENSATE:
        pw_undo_compensate(step, frame);
        return;
    }
}
