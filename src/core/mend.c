/* mend.c - what people do about an incident, other than to try again: they skip what has failed, go
 * to another task, or change the data that it failed on.
 *
 * Everything is checked before anything changes: what a person has given must fit where it goes,
 * and a refusal says what would. Who leaves a call behind that may have had its effect, and nobody
 * knows, must say that this is known. What was kept beside the fault goes on, as by a retry. */
#include "core/step.h"
#include "base/patch.h"

/* ------------------------------------------------------------------ whether it may be done */

/* What a person has given for a task, as its schema wants it. */
static pw_verdict fits_schema(pw_step *step, pw_value schema, pw_value data, const char *whole)
{
    pw_str words;
    if (!pw_data_problem(step, schema, data, whole, &words))
        return pw_done();
    return pw_refused(step, PAWL_INVALID, PAWL_REASON_BAD_ANSWER, PW_FMT, PW_ARG(words));
}

pw_verdict pw_mend_input_fits(pw_step *step, const pw_task *task, pw_value input)
{
    return task->schemas ? fits_schema(step, task->schemas->input, input, "the input") : pw_done();
}

/* An incident is open, and it is of something that can be left. */
static pw_verdict may_leave(pw_step *step, const char *what)
{
    pw_state *state = step->state;
    if (!state->incident)
        return pw_status_ended(state->status)
                   ? pw_has_ended(step)
                   : pw_refused(step, PAWL_STATE, PAWL_REASON_NO_INCIDENT, "no incident is open");
    if (state->root->schedule)
        return pw_refused(step, PAWL_STATE, PAWL_REASON_NONE,
                          "a schedule cannot be %s; retry the incident, or cancel the schedule",
                          what);
    return pw_done();
}

/* ------------------------------------------------------------------ skip */

/* The workflow's own output could not be made: this one is it. */
static pw_verdict skip_the_end(pw_step *step, pw_value given)
{
    pw_frame *root = step->state->root;
    if (pw_is(root->args, PW_NONE))
        return pw_refused(step, PAWL_STATE, PAWL_REASON_NONE,
                          "the workflow itself has failed, before its end: there is no task to "
                          "skip; retry it, or go to one of its tasks");
    bool is_given = !pw_is(given, PW_NONE);
    pw_value output = is_given ? given : root->args;
    pw_verdict v = fits_schema(step, step->program->schemas.output, output, "the output");
    if (v.code != PAWL_OK)
        return v;
    const pw_member more[] = { { PW_LIT("output"), given } };
    pw_record_command_with(step, "instance.skipped", NULL, more, PW_LENGTH(more));
    pw_incident_resumed(step);
    pw_incident_leave(step, "skipped");
    pw_flow_complete_with(step, output);
    return pw_done();
}

pw_verdict pw_mend_skip(pw_step *step)
{
    pw_verdict v = may_leave(step, "skipped");
    if (v.code != PAWL_OK)
        return v;
    pw_frame *frame = pw_incident_frame(step);
    pw_value given = pw_copy(step->arena, step->event->payload), output = given;
    if (!frame)
        return skip_the_end(step, given);
    if (!pw_undo_is_asked(frame))
        v = pw_incident_confirmed(step, frame, "to skip it leaves that open");
    if (v.code != PAWL_OK)
        return v;
    const pw_task *task = frame->task;
    const pw_member more[] = { { PW_LIT("output"), given }, pw_incident_confirmation(step, frame) };
    pw_record_command_with(step, "instance.skipped", frame, more, PW_LENGTH(more));
    frame->raw = pw_frame_raw(frame);
    frame->phase = PHASE_BODY;
    frame->error = (pw_value){ 0 };
    if (!pw_is(given, PW_NONE) &&
        !pw_flow_shape(step, frame, task->output_as, task->export_as, task->schemas, &output))
        return pw_refused(step, PAWL_INVALID, PAWL_REASON_BAD_ANSWER, PW_FMT,
                          PW_ARG(pw_get_text(step->thrown, "detail")));
    pw_incident_resumed(step);
    pw_incident_leave(step, "skipped");
    pw_step_rouse(step);
    if (pw_is(given, PW_NONE))
        pw_flow_skip(step, frame, "by hand");
    else
        pw_flow_put(step, frame, output);
    pw_step_go_on(step);
    return pw_done();
}

/* ------------------------------------------------------------------ go to another task */

/* Out of a step of a compensation plan there is no way. */
static pw_frame *around(const pw_frame *frame)
{
    return pw_undo_is_step(frame) ? NULL : frame->parent;
}

/* The list that a scope runs, if one of its tasks can be next: branches of a fork cannot. */
static const pw_list *list_of(const pw_frame *scope, const pw_program *program)
{
    return scope->task && scope->task->kind == PW_TASK_FORK ? NULL : pw_frame_list(scope, program);
}

static const pw_task *find_task(const pw_list *list, pw_str pointer)
{
    for (uint32_t i = 0; list && i < list->count; i++)
        if (pw_str_eq(list->tasks[i]->pointer, pointer))
            return list->tasks[i];
    return NULL;
}

/* A refusal, with what can be gone to, the nearest first. */
static pw_verdict no_such_task(pw_step *step, const pw_frame *from)
{
    enum { WORDS_MAX = 320 };
    pw_str words = { "", 0 };
    for (const pw_frame *scope = from; scope; scope = around(scope)) {
        const pw_list *list = list_of(scope, step->program);
        for (uint32_t i = 0; list && i < list->count && words.len < WORDS_MAX; i++)
            words = pw_arena_printf(step->arena, PW_FMT "%s" PW_FMT, PW_ARG(words),
                                    words.len ? ", " : "", PW_ARG(list->tasks[i]->pointer));
    }
    return pw_refused(step, PAWL_INVALID, PAWL_REASON_NONE,
                      "'" PW_FMT "' cannot be gone to from here%s" PW_FMT,
                      PW_ARG(step->event->task),
                      words.len ? "; these can: " : ": it undoes something", PW_ARG(words));
}

typedef struct left_behind {
    const pw_frame *frame; /* the first that may have had its effect; NULL: none */
} left_behind;

static void look_for_doubt(void *context, const pw_frame *frame)
{
    left_behind *left = context;
    bool in_flight = frame->phase == PHASE_CALL || frame->phase == PHASE_WORK;
    if (!left->frame && frame->task && (in_flight || pw_frame_in_doubt(frame)))
        left->frame = frame;
}

pw_verdict pw_mend_goto(pw_step *step)
{
    pw_verdict v = may_leave(step, "left");
    if (v.code != PAWL_OK)
        return v;
    const pw_event *event = step->event;
    pw_frame *frame = pw_incident_frame(step), *root = step->state->root;
    pw_frame *from = frame ? around(frame) : root, *scope = from;
    const pw_task *target = NULL;
    for (; scope; scope = around(scope))
        if ((target = find_task(list_of(scope, step->program), event->task)) != NULL)
            break;
    if (!target)
        return no_such_task(step, from);
    pw_value given = pw_copy(step->arena, event->payload);
    pw_value raw = !pw_is(given, PW_NONE) ? given : frame ? pw_frame_raw(frame) : root->input;
    v = pw_mend_input_fits(step, target, raw);
    if (v.code != PAWL_OK)
        return v;
    left_behind left = { 0 };
    pw_frames_each(scope, look_for_doubt, &left);
    v = pw_incident_confirmed(step, left.frame, "to go on elsewhere leaves that open");
    if (v.code != PAWL_OK)
        return v;
    const pw_member more[] = {
        { PW_LIT("from"), pw_string_ref(frame ? frame->task->pointer : PW_LIT("/")) },
        { PW_LIT("to"), pw_string_ref(target->pointer) },
        { PW_LIT("input"), given },
        pw_incident_confirmation(step, left.frame),
    };
    pw_record_command_with(step, "instance.moved", frame, more, PW_LENGTH(more));
    pw_incident_resumed(step);
    pw_incident_leave(step, "moved");
    pw_flow_close_inside(step, scope, "somebody went on with another task");
    pw_step_rouse(step);
    if (!frame && !pw_step_start_clock(step))
        return pw_done();
    pw_flow_spawn(step, scope, target, raw);
    pw_step_go_on(step);
    return pw_done();
}

/* ------------------------------------------------------------------ edit */

/* Only what is shown can be edited, and it stays there. */
static pw_verdict is_whole(pw_step *step, pw_value before, pw_value after)
{
    const pw_member *members = pw_members(before), *now = pw_members(after);
    if (!pw_is(after, PW_OBJECT))
        return pw_refused(step, PAWL_INVALID, PAWL_REASON_BAD_ANSWER,
                          "the data of an instance are an object, and this would be of type %s",
                          pw_type_name(after));
    for (uint32_t i = 0; i < before.count; i++)
        if (!pw_find(after, members[i].key))
            return pw_refused(step, PAWL_INVALID, PAWL_REASON_BAD_ANSWER,
                              "'" PW_FMT "' cannot be removed: make it null",
                              PW_ARG(members[i].key));
    for (uint32_t i = 0; i < after.count; i++)
        if (!pw_find(before, now[i].key))
            return pw_refused(step, PAWL_INVALID, PAWL_REASON_BAD_ANSWER,
                              "'" PW_FMT "' is nothing that can be edited%s", PW_ARG(now[i].key),
                              pw_str_is(now[i].key, "input") ? ": no task has failed" : "");
    return pw_done();
}

pw_verdict pw_mend_edit(pw_step *step)
{
    pw_state *state = step->state;
    if (pw_is_over(state))
        return pw_has_ended(step);
    pw_value before = pw_state_data(state, step->arena), after;
    pw_value patch = pw_copy(step->arena, step->event->payload);
    pawl_error err;
    pawl_code code = pw_patch_apply(&after, before, patch, step->arena, &err);
    if (code == PAWL_NO_MEMORY)
        pw_step_abort(step, code, "out of memory");
    if (code != PAWL_OK)
        return pw_refused(step, PAWL_INVALID, PAWL_REASON_BAD_ANSWER, "%s", err.message);
    pw_verdict v = is_whole(step, before, after);
    if (v.code != PAWL_OK)
        return v;
    if (pw_equal(before, after))
        return pw_repeated("the data are so already");
    pw_frame *frame = state->incident ? pw_incident_frame(step) : NULL;
    pw_value input = pw_get_lit(after, "input");
    bool other = frame && !pw_equal(input, pw_get_lit(before, "input"));
    if (other)
        v = pw_mend_input_fits(step, frame->task, input);
    if (v.code != PAWL_OK)
        return v;
    const pw_member more[] = { { PW_LIT("patch"), patch } };
    pw_record_command_with(step, "instance.edited", NULL, more, PW_LENGTH(more));
    state->context = pw_get_lit(after, "context");
    if (other)
        frame->raw = input;
    if (frame)
        frame->attempt = 0; /* what was asked is not asked again as it was */
    return pw_done();
}
