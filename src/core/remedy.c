/* remedy.c - metadata.pawl.onFault: a definition asks a person what to do about an incident.
 *
 * When an incident opens, and the instance is not suspended for it, a user task is opened beside
 * what is kept: under the root, outside of every list. Its answer names a command, which is carried
 * out in the same step, as if its sender had given it; where that is refused, so is the answer, and
 * the question stays. The question ends with the incident, however that ends. One that cannot be
 * asked is told of, and changes nothing: the incident is open all the same.
 *
 * What the task sees as `.`: {error, task, name, visit, input, class, attempts, action}. */
#include "core/step.h"

static const struct {
    const char *name;
    pw_event_kind kind;
    const char *payload; /* the member of the answer that goes with it; NULL: none */
} remedies[PW_REMEDY_COUNT] = {
    [PW_REMEDY_RETRY] = { "retry", PW_EVENT_RETRY, "input" },
    [PW_REMEDY_SKIP] = { "skip", PW_EVENT_SKIP, "output" },
    [PW_REMEDY_FAIL] = { "fail", PW_EVENT_FAIL, NULL },
    [PW_REMEDY_COMPENSATE] = { "compensate", PW_EVENT_COMPENSATE, NULL },
};

bool pw_remedy_is(const pw_frame *frame)
{
    return frame->task && frame->task->kind == PW_TASK_USER && frame->task->as.user.actions != 0;
}

bool pw_remedy_alone(const pw_frame *root)
{
    const pw_frame *child = root->child;
    while (child && pw_remedy_is(child))
        child = child->next;
    return child == NULL;
}

/* ------------------------------------------------------------------ asked */

static const pw_task *remedy_of(const pw_step *step, const pw_frame *at)
{
    for (; at && at->task; at = at->parent)
        if (at->task->on_fault)
            return at->task->on_fault;
    return step->program->on_fault;
}

pw_value pw_remedy_form(pw_step *step, const pw_task *task)
{
    pw_array_builder names = { .arena = step->arena };
    for (unsigned i = 0; i < PW_REMEDY_COUNT; i++)
        if (task->as.user.actions & PW_BIT(i))
            pw_array_add(&names, pw_string_ref(pw_str_of(remedies[i].name)));
    const pw_value any = pw_object_of(step->arena, NULL, 0);
    const pw_value required[] = { pw_string_ref(PW_LIT("action")) };
    const pw_member action[] = { { PW_LIT("enum"), pw_array_end(&names) } };
    const pw_member text[] = { { PW_LIT("type"), pw_string_ref(PW_LIT("string")) } };
    const pw_member boolean[] = { { PW_LIT("type"), pw_string_ref(PW_LIT("boolean")) } };
    const pw_member properties[] = {
        { PW_LIT("action"), pw_object_of(step->arena, action, 1) },
        { PW_LIT("input"), any },
        { PW_LIT("output"), any },
        { PW_LIT("reason"), pw_object_of(step->arena, text, 1) },
        { PW_LIT("confirmed"), pw_object_of(step->arena, boolean, 1) },
    };
    const pw_member members[] = {
        { PW_LIT("type"), pw_string_ref(PW_LIT("object")) },
        { PW_LIT("required"), pw_array(step->arena, required, 1) },
        { PW_LIT("properties"), pw_object_of(step->arena, properties, PW_LENGTH(properties)) },
    };
    return pw_object_of(step->arena, members, PW_LENGTH(members));
}

/* Not queued: it is open at once, or not at all. */
static pw_frame *add_frame(pw_step *step, const pw_task *task, pw_value about)
{
    pw_frame *root = step->state->root, *frame = PW_NEW(step->arena, pw_frame);
    frame->parent = root;
    frame->task = task;
    frame->phase = PHASE_BODY;
    frame->visit = ++step->state->visits;
    const uint64_t place[2] = { task->index, frame->visit };
    frame->path = pw_hash64(root->path, place, sizeof place);
    frame->started_ms = step->event->now_ms;
    frame->input = about;
    frame->timeout_ms = frame->due_ms = PW_WAKE_NEVER;
    if (root->last)
        root->last->next = frame;
    else
        root->child = frame;
    root->last = frame;
    return frame;
}

void pw_remedy_open(pw_step *step, const pw_frame *at, pw_value problem, uint32_t attempts)
{
    const pw_task *task = remedy_of(step, at);
    const pw_fault *fault = step->fault;
    if (!task || step->state->root->schedule)
        return;
    pw_str name = at->task ? at->task->name : step->program->name;
    const pw_member members[] = {
        { PW_LIT("error"), problem },
        { PW_LIT("task"), pw_string_ref(fault->task) },
        { PW_LIT("name"), pw_string_ref(name) },
        { PW_LIT("visit"), pw_int((int64_t)at->visit) },
        { PW_LIT("input"), at->task ? pw_frame_raw(at) : step->state->input },
        { PW_LIT("class"), pw_string_ref(fault->class_) },
        { PW_LIT("attempts"), pw_int(attempts) },
        { PW_LIT("action"), pw_string_ref(fault->action) },
    };
    pw_frame *frame = add_frame(step, task, pw_object_of(step->arena, members, PW_LENGTH(members)));
    pw_record_task(step, PW_LIFE_CREATED, frame, (pw_value){ 0 });
    pw_record_task(step, PW_LIFE_STARTED, frame, (pw_value){ 0 });
    if (pw_user_open(step, frame))
        return;
    PW_RECORD(step, "onFault.failed", frame, { PW_LIT("error"), step->thrown });
    pw_record_task(step, PW_LIFE_FAULTED, frame, step->thrown);
    pw_flow_detach(step, frame);
}

void pw_remedy_close(pw_step *step)
{
    for (pw_frame *frame = step->state->root->child, *next = NULL; frame; frame = next) {
        next = frame->next;
        if (pw_remedy_is(frame))
            pw_flow_close(step, frame, "the incident is over");
    }
}

/* ------------------------------------------------------------------ answered */

/* What the answer says is done, as by its sender. The bookmark is consumed, and nothing is known of
 * the task any more. */
pw_verdict pw_remedy_answer(pw_step *step, pw_frame *frame, pw_value answer)
{
    const pw_event *event = step->event;
    unsigned allowed = frame->task->as.user.actions, chosen = 0;
    pw_str action = pw_get_text(answer, "action");
    while (chosen < PW_REMEDY_COUNT &&
           !(allowed & PW_BIT(chosen) && pw_str_is(action, remedies[chosen].name)))
        chosen++;
    if (chosen == PW_REMEDY_COUNT)
        return pw_refused(step, PAWL_INVALID, PAWL_REASON_BAD_ANSWER,
                          "the answer's 'action' is no action that may be chosen: '" PW_FMT "'",
                          PW_ARG(action));
    pw_record_task(step, PW_LIFE_COMPLETED, frame, answer);
    pw_flow_detach(step, frame);
    pw_event command = *event;
    const char *payload = remedies[chosen].payload;
    command.kind = remedies[chosen].kind;
    command.payload = payload ? pw_get_lit(answer, payload) : (pw_value){ 0 };
    command.reason = pw_get_text(answer, "reason");
    command.confirmed = pw_is(pw_get_lit(answer, "confirmed"), PW_TRUE);
    command.key = command.task = command.bookmark = (pw_str){ 0 };
    step->event = &command;
    pw_verdict v = pw_step_take(step);
    step->event = event;
    if (v.repeated) /* an answer that changes nothing would be lost */
        return pw_refused(step, PAWL_STATE, PAWL_REASON_NONE, PW_FMT "; choose something else", PW_ARG(v.message));
    return v;
}
