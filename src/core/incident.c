/* incident.c - what people do about an incident: they have it tried again, or give it up.
 *
 * An instance with an open incident is asleep, whether its status is faulted or suspended: what was in
 * flight beside the fault stays, and its results are kept. Tried again, the task that has failed begins
 * anew - its raw input and its path are the same, and so are the idempotency keys of its calls - and
 * what was kept goes on. Only a call whose outcome nobody knows is not rendered again: the same request
 * goes out under the same key. The visit is a new one, as with every task that is run again. */
#include "core/step.h"

static void begin_anew(pw_step *step, pw_frame *frame)
{
    frame->raw = pw_frame_raw(frame);
    frame->phase = PHASE_READY;
    frame->visit = ++step->state->visits;
    frame->input = frame->items = frame->error = frame->args = frame->context = (pw_value){ 0 };
    frame->key = (pw_str){ 0 };
    frame->class_ = 0;
    frame->limit_ms = 0;
    frame->ordinal = frame->attempt = frame->at = 0;
    frame->timeout_ms = frame->due_ms = PW_WAKE_NEVER;
}

static void send_again(pw_step *step, pw_frame *frame)
{
    pw_duration timeout;
    frame->phase = PHASE_PARKED;
    frame->visit = ++step->state->visits;
    frame->attempt = 0;
    frame->started_ms = step->event->now_ms;
    if (frame->task->timeout.given) {
        if (!pw_eval_delay(step, frame, &frame->task->timeout, &timeout)) {
            pw_flow_raise(step, frame, step->thrown);
            return;
        }
        frame->timeout_ms = pw_duration_after(step->event->now_ms, timeout);
    }
    pw_call_again(step, frame);
}

/* What an earlier version let go of at a fault was READY again, with the visit of what it had opened. */
static void renew_ready(pw_step *step)
{
    const pw_search ready = { .kind = SEARCH_READY };
    pw_frame *root = step->state->root;
    for (pw_frame *f = root; f; f = pw_step_walk(step, f, root, ready))
        if (f->phase == PHASE_READY)
            f->visit = ++step->state->visits;
}

/* The workflow itself has failed: at its beginning, at its end, or by its timeout, which begins anew. */
static void mend_root(pw_step *step, pw_value output)
{
    pw_state *state = step->state;
    pw_frame *root = state->root;
    if (!pw_is(output, PW_NONE)) {
        pw_flow_complete(step, output);
    } else if (root->child) {
        (void)pw_step_start_clock(step);
    } else if (root->schedule ||
               pw_data_fits(step, root, step->program->schemas.input, state->input, "input")) {
        pw_step_enter(step);
    } else {
        pw_flow_raise_within(step, root, step->thrown);
    }
}

static pw_frame *faulted_frame(pw_step *step)
{
    const pw_search held = { .kind = SEARCH_HELD };
    pw_frame *root = step->state->root;
    for (pw_frame *f = root; f; f = pw_step_walk(step, f, root, held))
        if (f->phase == PHASE_FAULTED)
            return f;
    return NULL;
}

void pw_incident_over(pw_step *step, const char *resolution)
{
    if (!step->state->incident)
        return;
    step->state->incident = false;
    step->resolution = pw_str_of(resolution);
}

/* Before format 4 the output was not kept that the workflow's `output` failed on. */
pw_verdict pw_incident_is_lost(pw_step *step)
{
    const pw_frame *root = step->state->root;
    if (!step->state->incident || pw_is(root->error, PW_NONE) || root->child ||
        !pw_is(root->args, PW_NONE) || step->state->visits == 0)
        return pw_done();
    return pw_refused(step, PAWL_STATE, PAWL_REASON_NONE,
                      "it failed at its end under an earlier version, which did not keep its output; "
                      "fail the incident, or cancel the instance");
}

void pw_incident_mend(pw_step *step, const char *resolution)
{
    pw_state *state = step->state;
    pw_frame *root = state->root, *frame = faulted_frame(step);
    bool of_root = !pw_is(root->error, PW_NONE);
    pw_value output = root->args;
    root->error = root->args = (pw_value){ 0 };
    pw_incident_over(step, resolution);
    state->status = PW_RUNNING; /* what begins now is not kept */
    renew_ready(step);
    if (frame && pw_fault_is_unknown(frame) && frame->key.len)
        send_again(step, frame);
    else if (frame)
        begin_anew(step, frame);
    if (!step->ended)
        pw_step_wake(step);
    if (of_root && !step->ended)
        mend_root(step, output);
}

/* ------------------------------------------------------------------ retry */

/* Of an instance that lives: what waits for its next attempt makes it now. */
static pw_verdict hasten(pw_step *step)
{
    const pw_search again = { .kind = SEARCH_AGAIN };
    pw_frame *root = step->state->root;
    pw_list_of found = { 0 };
    for (pw_frame *f = root; f; f = pw_step_walk(step, f, root, again))
        if (pw_frame_tries_again(f))
            *(pw_frame **)pw_step_push(step, &found, sizeof f) = f;
    if (found.count == 0)
        return pw_refused(step, PAWL_STATE, PAWL_REASON_NO_INCIDENT,
                          "no incident is open, and nothing waits for its next attempt");
    if (step->state->status == PW_SUSPENDED)
        return pw_refused(step, PAWL_STATE, PAWL_REASON_NONE,
                          "the instance is suspended; continue it first");
    pw_record_command(step, "instance.retried", NULL);
    for (size_t i = 0; i < found.count; i++)
        pw_call_again(step, ((pw_frame **)found.items)[i]);
    return pw_done();
}

pw_verdict pw_incident_retry(pw_step *step)
{
    pw_state *state = step->state;
    if (!state->incident)
        return pw_status_ended(state->status) ? pw_has_ended(step) : hasten(step);
    pw_verdict lost = pw_incident_is_lost(step);
    if (lost.code != PAWL_OK)
        return lost;
    pw_record_command(step, "instance.retried", faulted_frame(step));
    pw_record_lifecycle(step, PW_LIFE_RESUMED, (pw_value){ 0 });
    if (state->status == PW_SUSPENDED)
        pw_tasks_follow(step, PW_LIFE_RESUMED);
    pw_incident_mend(step, "retried");
    return pw_done();
}

/* ------------------------------------------------------------------ fail */

pw_verdict pw_incident_fail(pw_step *step)
{
    pw_state *state = step->state;
    pw_frame *root = state->root, *frame = faulted_frame(step);
    if (!state->incident && state->status == PW_FAULTED)
        return pw_repeated("it was given up before");
    if (!state->incident && pw_status_ended(state->status))
        return pw_has_ended(step);
    if (!state->incident)
        return pw_refused(step, PAWL_STATE, PAWL_REASON_NO_INCIDENT, "no incident is open");
    pw_record_command(step, "instance.failed", frame);
    if (state->status == PW_SUSPENDED) /* else the row has it already */
        step->error = frame ? frame->error : root->error;
    while (root->child)
        pw_flow_close(step, root->child, "the incident was given up");
    root->error = root->args = (pw_value){ 0 };
    state->suspended_by = state->suspended_reason = (pw_str){ 0 };
    pw_incident_over(step, "failed");
    pw_flow_end(step, PW_FAULTED);
    return pw_done();
}
