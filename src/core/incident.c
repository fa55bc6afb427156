/* incident.c - what people do about an incident: they have it tried again, or give it up. (What else they do is in mend.c.)
 *
 * An instance with an open incident is asleep, whether its status is faulted or suspended: what was in
 * flight beside the fault stays, and its results are kept. Tried again, the task that has failed begins
 * anew - its raw input and its path are the same, and so are the idempotency keys of its calls - and
 * what was kept goes on. Only a call whose outcome nobody knows is not rendered again: the same request
 * goes out under the same key. The visit is a new one, as with every task that is run again. With another
 * input, or other data, another request would go out instead of it: that needs a word of who asks for it. */
#include "core/step.h"

static void begin_anew(pw_step *step, pw_frame *frame)
{
    bool asked = pw_undo_is_asked(frame); /* and has said so */
    frame->raw = pw_frame_raw(frame);
    frame->phase = PHASE_READY;
    frame->visit = ++step->state->visits;
    frame->input = frame->items = frame->error = frame->args = frame->context = (pw_value){ 0 };
    frame->doubt = pw_frame_in_doubt(frame) && !asked;
    if (!frame->doubt)
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
    if (pw_undo_is_step(frame))
        pw_undo_begin(step, frame);
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

pw_frame *pw_incident_frame(pw_step *step)
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
    pw_remedy_close(step);
}

static bool may_have_had_effect(const pw_frame *frame)
{
    return frame && (pw_frame_in_doubt(frame) || frame->phase == PHASE_CALL || frame->phase == PHASE_WORK);
}

pw_verdict pw_incident_confirmed(pw_step *step, const pw_frame *frame, const char *what)
{
    if (!may_have_had_effect(frame) || step->event->confirmed)
        return pw_done();
    if (pw_undo_is_asked(frame))
        return pw_refused(step, PAWL_STATE, PAWL_REASON_UNKNOWN_OUTCOME,
                          "nobody knows whether " PW_FMT " had its effect, and there is anything to undo. Look "
                          "there, then confirm that it is to be undone, or skip it",
                          PW_ARG(frame->task->undoes->pointer));
    return pw_refused(step, PAWL_STATE, PAWL_REASON_UNKNOWN_OUTCOME,
                      "the call of '" PW_FMT "' (" PW_FMT ") may have had its effect; %s. Look at "
                      "the service, then confirm that you know",
                      PW_ARG(frame->task->name), PW_ARG(frame->task->pointer), what);
}

pw_member pw_incident_confirmation(const pw_step *step, const pw_frame *frame)
{
    bool said = may_have_had_effect(frame) && step->event->confirmed;
    return (pw_member){ PW_LIT("confirmed"), said ? pw_bool(true) : (pw_value){ 0 } };
}

static const char another_request[] = "another request would be sent instead of it";

/* Before format 4 the output was not kept that the workflow's `output` failed on. */
pw_verdict pw_incident_may_begin(pw_step *step)
{
    const pw_frame *root = step->state->root, *frame = NULL;
    if (!step->state->incident)
        return pw_done();
    if (pw_is(root->error, PW_NONE)) {
        frame = pw_incident_frame(step);
        return pw_incident_confirmed(step, frame && frame->attempt ? NULL : frame, another_request);
    }
    if (!pw_remedy_alone(root) || !pw_is(root->args, PW_NONE) || step->state->visits == 0)
        return pw_done();
    return pw_refused(step, PAWL_STATE, PAWL_REASON_NONE,
                      "it failed at its end under an earlier version, which did not keep its output; "
                      "fail the incident, or cancel the instance");
}

void pw_incident_resumed(pw_step *step)
{
    pw_record_lifecycle(step, PW_LIFE_RESUMED, (pw_value){ 0 });
    if (step->state->status == PW_SUSPENDED)
        pw_tasks_follow(step, PW_LIFE_RESUMED);
}

void pw_incident_leave(pw_step *step, const char *resolution)
{
    pw_frame *root = step->state->root;
    root->error = root->args = (pw_value){ 0 };
    pw_incident_over(step, resolution);
    step->state->status = PW_RUNNING; /* what begins now is not kept */
    renew_ready(step);
}

void pw_incident_mend(pw_step *step, const char *resolution)
{
    const pw_frame *root = step->state->root;
    bool of_root = !pw_is(root->error, PW_NONE);
    pw_value output = root->args;
    pw_frame *frame = pw_incident_frame(step);
    pw_incident_leave(step, resolution);
    if (frame && pw_fault_is_unknown(frame) && frame->key.len && frame->attempt)
        send_again(step, frame);
    else if (frame)
        begin_anew(step, frame);
    if (!step->ended)
        pw_step_wake(step);
    if (of_root && !step->ended && !step->state->compensating)
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
    if (!pw_is(step->event->payload, PW_NONE))
        return pw_refused(step, PAWL_STATE, PAWL_REASON_NO_INCIDENT,
                          "no incident is open: the input of a task that is being tried cannot be "
                          "changed");
    pw_record_command(step, "instance.retried", NULL);
    for (size_t i = 0; i < found.count; i++)
        pw_call_again(step, ((pw_frame **)found.items)[i]);
    return pw_done();
}

/* The input that it begins with instead of its own; the same one changes nothing. */
static pw_verdict take_input(pw_step *step, pw_frame *frame, pw_value input)
{
    if (!frame || step->state->root->schedule)
        return pw_refused(step, PAWL_STATE, PAWL_REASON_NONE,
                          "%s has failed, not a task: its input stays as it was",
                          frame ? "a schedule" : "the workflow itself");
    pw_verdict v = pw_mend_input_fits(step, frame->task, input);
    if (v.code != PAWL_OK || pw_equal(input, pw_frame_raw(frame)))
        return v;
    frame->raw = input;
    frame->attempt = 0;
    return v;
}

pw_verdict pw_incident_retry(pw_step *step)
{
    pw_state *state = step->state;
    if (!state->incident)
        return pw_status_ended(state->status) ? pw_has_ended(step) : hasten(step);
    pw_frame *frame = pw_incident_frame(step);
    pw_value input = pw_copy(step->arena, step->event->payload);
    pw_verdict v = pw_is(input, PW_NONE) ? pw_done() : take_input(step, frame, input);
    if (v.code == PAWL_OK)
        v = pw_incident_may_begin(step);
    if (v.code != PAWL_OK)
        return v;
    const pw_member more[] = {
        { PW_LIT("input"), input },
        pw_incident_confirmation(step, frame),
    };
    pw_record_command_with(step, "instance.retried", frame, more, PW_LENGTH(more));
    pw_incident_resumed(step);
    pw_incident_mend(step, "retried");
    return pw_done();
}

/* ------------------------------------------------------------------ fail */

pw_verdict pw_incident_fail(pw_step *step)
{
    pw_state *state = step->state;
    pw_frame *root = state->root, *frame = pw_incident_frame(step);
    if (!state->incident && state->status == PW_FAULTED)
        return pw_repeated("it was given up before");
    if (!state->incident && pw_status_ended(state->status))
        return pw_has_ended(step);
    if (!state->incident)
        return pw_refused(step, PAWL_STATE, PAWL_REASON_NO_INCIDENT, "no incident is open");
    pw_value error = frame ? frame->error : root->error;
    pw_record_command(step, "instance.failed", frame);
    if (state->status == PW_SUSPENDED || state->parent.len) /* else everybody has it already */
        step->error = error;
    while (root->child)
        pw_flow_close(step, root->child, "the incident was given up");
    root->error = state->undo_count ? error : (pw_value){ 0 }; /* kept for who compensates it */
    root->args = (pw_value){ 0 };
    state->suspended_by = state->suspended_reason = (pw_str){ 0 };
    pw_incident_over(step, "failed");
    pw_flow_end(step, PW_FAULTED);
    return pw_done();
}
