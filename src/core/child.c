/* child.c - instances that start others, and wait for them.
 *
 * A child is an instance like any other. All that passes between the two is rows of the inbox, each
 * written with the step that causes it: the parent's `start` and `cancel`, and the child's
 * `child-ended`. The child's id is made of its parent, the task, the visit and the step in which it
 * began: after a crash the committed visit has the same child, and a task that is run again - in a
 * loop, by a retry, by who mends a fault - has another one.
 *
 * A child tells its parent once how it has ended, and does not know it any more from then on: what
 * becomes of a fault that the parent has heard of and dealt with is no business of the parent's. */
#include "core/step.h"
#include "base/json.h"

static pw_str child_id(pw_step *step, const pw_frame *frame)
{
    uint8_t numbers[16];
    for (int i = 0; i < 8; i++) {
        numbers[i] = (uint8_t)(frame->visit >> (8 * i));
        numbers[8 + i] = (uint8_t)(step->identity->sequence >> (8 * i));
    }
    pw_str parts[] = { PW_LIT("child"),
                       step->identity->instance,
                       frame->task->pointer,
                       { (const char *)numbers, sizeof numbers } };
    pw_digest digest = pw_digest_of(parts, PW_LENGTH(parts));
    char id[PW_ID_SIZE];
    pw_id_of_digest(id, &digest);
    return pw_arena_str(step->arena, pw_str_of(id));
}

void pw_child_message(pw_step *step, pw_str target, pw_str key, const char *kind, pw_value payload)
{
    pw_inbox_message *message = PW_PUSH(step, messages, pw_inbox_message);
    message->target = target;
    message->dedupe_key = key;
    message->kind = pw_str_of(kind);
    message->payload = pw_json_text(step->arena, payload, PW_JSON_COMPACT);
    if (!message->payload.ptr)
        pw_step_abort(step, PAWL_NO_MEMORY, "out of memory");
    step->message_bytes += message->payload.len;
    if (step->message_bytes > PW_PAYLOAD_WHOLE_MAX)
        pw_step_abort(step, PAWL_INVALID,
                      "what one step sends to other instances is larger than 256 MiB");
    if (step->message_bytes > PW_MESSAGE_BYTES_PER_STEP)
        step->budget = 0; /* the rest is left to the next step */
}

/* ------------------------------------------------------------------ the parent's side */

static void push_start(pw_step *step, const pw_frame *frame, pw_str id, pw_value input)
{
    const pw_task *task = frame->task;
    bool await = task->as.run.await;
    pw_member members[] = {
        { PW_LIT("namespace"), pw_string_ref(task->as.run.namespace_) },
        { PW_LIT("name"), pw_string_ref(task->as.run.name) },
        { PW_LIT("version"), pw_str_value(task->as.run.version) },
        { PW_LIT("parent"), pw_string_ref(step->identity->instance) },
        { PW_LIT("visit"), await ? pw_int((int64_t)frame->visit) : (pw_value){ 0 } },
        { PW_LIT("depth"), pw_int((int64_t)step->state->depth + 1) },
        { PW_LIT("correlation"), pw_str_value(step->identity->correlation) },
        { PW_LIT("input"), input },
    };
    pw_child_message(step, id, PW_LIT("start"), "start",
                     pw_object_of(step->arena, members, PW_LENGTH(members)));
}

static void wait_for(pw_step *step, pw_frame *frame, pw_str id)
{
    frame->phase = PHASE_CHILD;
    frame->key = id;
    pw_bookmark *bookmark = PW_PUSH(step, bookmarks, pw_bookmark);
    bookmark->kind = PW_BOOKMARK_CHILD;
    bookmark->task = frame->task->pointer;
    bookmark->visit = frame->visit;
    bookmark->key = id;
    bookmark->due_at = -1;
}

/* A step of a compensation plan: what the child has done is undone by the child itself. */
static void compensate(pw_step *step, pw_frame *frame)
{
    pw_str id = pw_get_text(frame->input, "child"), parent = step->identity->instance;
    if (id.len != PW_ID_SIZE - 1) {
        pw_flow_raise(step, frame,
                      pw_problem(step, frame, "validation", 400, "not a child", "'child' must be the id of an instance"));
        return;
    }
    const pw_member members[] = {
        { PW_LIT("parent"), pw_string_ref(parent) },
        { PW_LIT("visit"), pw_int((int64_t)frame->visit) },
        { PW_LIT("reason"), pw_string_ref(PW_LIT("its parent is compensated")) },
    };
    PW_RECORD(step, "task.started", frame, { PW_LIT("child"), pw_string_ref(id) });
    wait_for(step, frame, id);
    pw_child_message(step, id,
                     pw_arena_printf(step->arena, "compensate-" PW_FMT "-%llu", PW_ARG(parent),
                                     (unsigned long long)frame->visit),
                     "compensate", pw_object_of(step->arena, members, PW_LENGTH(members)));
}

void pw_child_begin(pw_step *step, pw_frame *frame)
{
    const pw_task *task = frame->task;
    if (pw_undo_is_step(frame)) {
        compensate(step, frame);
        return;
    }
    if (step->state->depth >= PW_DEPTH_MAX) {
        pw_flow_raise(step, frame,
                      pw_problem(step, frame, "configuration", 400,
                                 "workflows run each other too deep",
                                 "at most %u may be started one by the other", PW_DEPTH_MAX));
        return;
    }
    pw_value input = frame->input;
    if (task->as.run.input &&
        !pw_eval_template(step, frame, task->as.run.input, frame->input, (pw_value){ 0 }, &input)) {
        pw_flow_raise(step, frame, step->thrown);
        return;
    }
    pw_str id = child_id(step, frame);
    pw_str workflow = pw_arena_printf(step->arena, PW_FMT "/" PW_FMT,
                                      PW_ARG(task->as.run.namespace_), PW_ARG(task->as.run.name));
    push_start(step, frame, id, input);
    PW_RECORD(step, "task.started", frame, { PW_LIT("workflow"), pw_string_ref(workflow) },
              { PW_LIT("version"), pw_str_value(task->as.run.version) },
              { PW_LIT("child"), pw_string_ref(id) });
    if (!task->as.run.await) {
        pw_flow_finish(step, frame, frame->input);
        return;
    }
    wait_for(step, frame, id);
}

/* The child's error as the parent's own: the same, but for where it came up. */
static pw_value error_of_child(pw_step *step, const pw_frame *frame, pw_value error)
{
    if (!pw_is(error, PW_OBJECT))
        return pw_problem(step, frame, "runtime", 500, "the child workflow failed",
                          "instance " PW_FMT " did not say why", PW_ARG(frame->key));
    pw_str inside = pw_get_text(error, "instance");
    if (pw_str_is(inside, "/"))
        inside = (pw_str){ 0 };
    pw_str where =
        pw_arena_printf(step->arena, PW_FMT PW_FMT, PW_ARG(frame->task->pointer), PW_ARG(inside));
    return pw_with(step->arena, pw_copy(step->arena, error), PW_LIT("instance"),
                   pw_string_ref(where));
}

void pw_child_ended(pw_step *step, pw_frame *frame, pw_value output, pw_value error)
{
    pw_bookmark_end *end = PW_PUSH(step, bookmark_ends, pw_bookmark_end);
    end->visit = frame->visit;
    end->key = frame->key;
    end->consumed = true;
    if (!pw_is(error, PW_NONE))
        pw_undo_child(step, frame); /* whatever it has done until then */
    step->took = pw_copy(step->arena, output);
    step->took_error = pw_copy(step->arena, error);
    if (pw_is(error, PW_NONE))
        pw_call_settle(step, frame, step->took, (pw_value){ 0 });
    else
        pw_call_settle(step, frame, (pw_value){ 0 }, error_of_child(step, frame, error));
}

/* Nobody waits for this one any more, or ever did: it is written down, and changes nothing. */
void pw_child_late(pw_step *step, const pw_event *event)
{
    PW_RECORD(step, "child.late", NULL, { PW_LIT("child"), pw_string(step->arena, event->key) },
              { PW_LIT("error"), pw_copy(step->arena, event->error) });
}

/* Its key is behind that of the start, so that the two of one instant are read in this order. */
void pw_child_let_go(pw_step *step, const pw_frame *frame)
{
    if (frame->task->kind != PW_TASK_RUN || frame->task->as.run.close == PW_CLOSE_LEAVE ||
        pw_undo_is_step(frame) || (step->undoing && pw_undo_keeps_child(frame)))
        return;
    pw_member members[] = {
        { PW_LIT("parent"), pw_string_ref(step->identity->instance) },
        { PW_LIT("reason"), pw_string_ref(PW_LIT("its parent does not wait for it any more")) },
    };
    pw_child_message(step, frame->key, PW_LIT("stop-by-parent"), "cancel",
                     pw_object_of(step->arena, members, PW_LENGTH(members)));
}

/* ------------------------------------------------------------------ the child's side */

static pw_value cancelled(pw_step *step)
{
    const pw_event *event = step->event;
    pw_str by = event->actor.len ? event->actor : PW_LIT("system");
    return pw_problem(step, NULL, "runtime", 500, "the child workflow was cancelled",
                      "instance " PW_FMT " was cancelled by '" PW_FMT "'%s" PW_FMT,
                      PW_ARG(step->identity->instance), PW_ARG(by), event->reason.len ? ": " : "",
                      PW_ARG(event->reason));
}

static pw_value error_for_parent(pw_step *step)
{
    if (step->state->status == PW_CANCELLED)
        return cancelled(step);
    if (step->state->status == PW_COMPENSATED && pw_is(step->error, PW_NONE))
        return pw_problem(step, NULL, "runtime", 500, "the instance was compensated",
                          "what instance " PW_FMT " had done was undone", PW_ARG(step->identity->instance));
    return step->error;
}

void pw_child_tell_parent(pw_step *step)
{
    pw_state *state = step->state;
    pw_str parent = state->parent;
    if (!parent.len)
        return;
    bool answers = !pw_is(step->answer, PW_NONE); /* it is this that the parent has asked for */
    pw_value output = answers                          ? step->answer
                      : state->status == PW_COMPLETED ? step->output
                                                       : (pw_value){ 0 };
    bool good = answers || state->status == PW_COMPLETED;
    pw_member members[] = {
        { PW_LIT("visit"), pw_int((int64_t)state->parent_visit) },
        { PW_LIT("child"), pw_string_ref(step->identity->instance) },
        { PW_LIT("output"), output },
        { PW_LIT("error"), good ? (pw_value){ 0 } : error_for_parent(step) },
    };
    uint64_t told = state->parent_visit;
    state->parent = (pw_str){ 0 };
    state->parent_visit = 0;
    bool closing = step->event->kind == PW_EVENT_CANCEL && pw_str_eq(step->event->parent, parent);
    if (closing) /* it is the parent that does not want to know any more */
        return;
    bool again = answers || state->compensating; /* it may have been told of an end before */
    pw_str key = pw_arena_printf(step->arena, again ? "child-" PW_FMT "-compensated-%llu" : "child-" PW_FMT,
                                 PW_ARG(step->identity->instance), (unsigned long long)told);
    pw_child_message(
        step, parent, key, "child-ended", pw_object_of(step->arena, members, PW_LENGTH(members)));
}
