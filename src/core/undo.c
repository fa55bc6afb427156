/* undo.c - what was done leaves a row, by which it can be undone.
 *
 * A task with an undo that ends well leaves a row with the arguments of what undoes it, evaluated
 * then: so what a loop costs is a constant for each of its turns, and nothing has to be remembered
 * but how many rows there are. A call that may have had its effect, and that nobody waits for any
 * more, leaves a row of unknown outcome. A row is named by what was done: the same call under the
 * same idempotency key is one effect, and one row.
 *
 * Where the call of a function is undone as a whole, the tasks of its body leave no rows. What is
 * done to undo something leaves none either. */
#include "core/step.h"
#include "base/json.h"

/* ------------------------------------------------------------------ whose row it is */

static bool is_awaited_run(const pw_task *task)
{
    return task->kind == PW_TASK_RUN && task->as.run.await;
}

/* The task itself, or the outermost call of a function around it that has an undo; NULL: there is
 * none, or it undoes something itself. */
static const pw_frame *owner_of(const pw_frame *frame)
{
    const pw_frame *owner = frame->task->undo || is_awaited_run(frame->task) ? frame : NULL;
    for (const pw_frame *at = frame->parent; at && at->task; at = at->parent) {
        if (at->task->kind == PW_TASK_COMPENSATE)
            return NULL;
        if (at->task->kind == PW_TASK_FUNCTION && at->task->undo)
            owner = at;
    }
    return owner;
}

bool pw_undo_keeps_child(const pw_frame *frame)
{
    return owner_of(frame) == frame;
}

/* ------------------------------------------------------------------ what may have had its effect
 */

/* What this very step has asked for is not committed yet, and is not asked for if it is let go of
 * now. */
static bool is_new(const pw_step *step, const pw_frame *frame)
{
    const pw_call_intent *calls = step->calls.items;
    const pw_work *work = step->work.items;
    const pw_bookmark *bookmarks = step->bookmarks.items;
    for (size_t i = 0; i < step->calls.count; i++)
        if (calls[i].visit == frame->visit)
            return true;
    for (size_t i = 0; i < step->work.count; i++)
        if (work[i].visit == frame->visit && !work[i].cancel)
            return true;
    for (size_t i = 0; i < step->bookmarks.count; i++)
        if (bookmarks[i].visit == frame->visit)
            return true;
    return false;
}

/* `step` NULL: all that there is is committed. */
static bool is_in_flight(const pw_step *step, const pw_frame *frame)
{
    return (frame->phase == PHASE_CALL || frame->phase == PHASE_WORK) &&
           !(step && is_new(step, frame));
}

static bool has_output(const pw_frame *frame)
{
    return frame->phase == PHASE_PARKED && pw_is(frame->error, PW_NONE) &&
           !pw_is(frame->args, PW_NONE);
}

static bool has_child(const pw_step *step, const pw_frame *frame)
{
    return frame->phase == PHASE_CHILD && is_awaited_run(frame->task) &&
           frame->task->as.run.close != PW_CLOSE_LEAVE && !(step && is_new(step, frame));
}

/* Itself, or something in it: of the call of a function, whose body is done in parts. */
static bool may_have_done(const pw_step *step, const pw_frame *frame)
{
    if (frame->doubt || is_in_flight(step, frame))
        return true;
    if (frame->task->kind != PW_TASK_FUNCTION || !frame->task->undo)
        return false;
    for (const pw_frame *at = frame->child; at;
         at = pw_frame_walk((pw_frame *)(uintptr_t)at, frame))
        if (at->doubt || is_in_flight(step, at) || has_output(at) || has_child(step, at))
            return true;
    return false;
}

/* ------------------------------------------------------------------ rows */

/* "4.0/17.2": forks and branches, outermost first. */
static pw_str branch_of(pw_arena *arena, const pw_frame *frame)
{
    pw_str path = { 0 };
    for (; frame->parent && frame->parent->task; frame = frame->parent)
        if (frame->parent->task->kind == PW_TASK_FORK)
            path =
                pw_arena_printf(arena, "%llu.%u%s" PW_FMT, (unsigned long long)frame->parent->visit,
                                frame->task->position, path.len ? "/" : "", PW_ARG(path));
    return path;
}

/* While something is being undone no row is replaced: it may be what is carried out. */
static pw_str key_of(pw_step *step, const pw_frame *frame, uint64_t ordinal)
{
    bool called = frame->task->kind == PW_TASK_HTTP || frame->task->kind == PW_TASK_ACTIVITY ||
                  frame->task->kind == PW_TASK_RUN;
    pw_str key = called && frame->key.len
                     ? frame->key
                     : pw_arena_printf(step->arena, "%016llx", (unsigned long long)frame->path);
    if (pw_frames_rest(step->state->root).undoing == 0)
        return key;
    return pw_arena_printf(step->arena, PW_FMT "#%llu", PW_ARG(key), (unsigned long long)ordinal);
}

static pw_undo_step *push_row(pw_step *step, const pw_frame *frame, pw_undo_state state)
{
    pw_undo_step *row = PW_PUSH(step, undo, pw_undo_step);
    row->ordinal = ++step->state->undo_count;
    row->task = frame->task->pointer;
    row->visit = frame->visit;
    row->key = key_of(step, frame, row->ordinal);
    row->branch = branch_of(step->arena, frame);
    row->state = state;
    return row;
}

static pw_str text_of(pw_step *step, pw_value v)
{
    pw_str text = pw_json_text(step->arena, v, PW_JSON_COMPACT);
    if (!text.ptr)
        pw_step_abort(step, PAWL_NO_MEMORY, "out of memory");
    return text;
}

/* False: step->thrown. */
static bool arguments_of(pw_step *step, pw_frame *frame, pw_value output, pw_value *out)
{
    const pw_task *task = frame->task->undo->task;
    const pw_template *with = NULL;
    if (task->kind == PW_TASK_HTTP)
        return pw_http_arguments(step, frame, task, output, out);
    if (task->kind == PW_TASK_EMIT)
        with = task->as.event;
    else if (task->kind == PW_TASK_USER)
        with = task->as.user.with;
    else
        with = task->as.call.with;
    *out = pw_object_of(step->arena, NULL, 0);
    return !with || pw_eval_template(step, frame, with, output, output, out);
}

/* False: step->thrown. */
static bool is_wanted(pw_step *step, pw_frame *frame, pw_value output, bool *out)
{
    const pw_expr *condition = frame->task->undo->task->condition;
    pw_value wanted = pw_bool(true);
    bool good = !condition || pw_eval(step, frame, condition, output, output, &wanted);
    *out = !good || pw_truthy(wanted);
    return good;
}

/* The task itself is never touched by what goes wrong here. */
static void add_row(pw_step *step, pw_frame *frame, pw_value output, pw_undo_state state)
{
    bool wanted;
    pw_value thrown = step->thrown, arguments = { 0 };
    bool good = is_wanted(step, frame, output, &wanted);
    if (!wanted)
        return;
    good = good && arguments_of(step, frame, output, &arguments);
    pw_undo_step *row = push_row(step, frame, state);
    if (good)
        row->arguments = text_of(step, arguments);
    else
        row->error = text_of(step, step->thrown);
    if (!good || state == PW_UNDO_UNKNOWN)
        PW_RECORD(step, "compensation.registered", frame,
                  { PW_LIT("ordinal"), pw_int((int64_t)row->ordinal) },
                  { PW_LIT("state"), pw_string_ref(pw_str_of(pw_undo_state_name(state))) },
                  { PW_LIT("error"), good ? (pw_value){ 0 } : step->thrown });
    step->thrown = thrown;
}

static void add_child(pw_step *step, const pw_frame *frame, pw_str child)
{
    pw_undo_step *row = push_row(step, frame, PW_UNDO_REGISTERED);
    row->child = child;
}

/* ------------------------------------------------------------------ when */

static bool acts_outside(const pw_task *task)
{
    return task->kind == PW_TASK_HTTP || task->kind == PW_TASK_ACTIVITY ||
           task->kind == PW_TASK_USER || task->kind == PW_TASK_EMIT || task->kind == PW_TASK_RUN;
}

/* The call of a function that is undone as a whole may have had a part of its effect from now on.
 */
static void tell_owner(const pw_frame *owner)
{
    ((pw_frame *)(uintptr_t)owner)->doubt = true;
}

void pw_undo_done(pw_step *step, pw_frame *frame, pw_value output)
{
    if (step->program->compensation.count == 0 || !(frame->task->undo || acts_outside(frame->task)))
        return;
    const pw_frame *owner = owner_of(frame);
    frame->doubt = false;
    if (owner && owner != frame)
        tell_owner(owner);
    else if (owner && frame->task->undo)
        add_row(step, frame, output, PW_UNDO_REGISTERED);
    else if (owner && frame->key.len)
        add_child(step, frame, frame->key);
}

void pw_undo_child(pw_step *step, pw_frame *frame)
{
    const pw_frame *owner = step->program->compensation.count ? owner_of(frame) : NULL;
    if (owner && owner != frame)
        tell_owner(owner);
    else if (owner)
        add_child(step, frame, frame->key);
}

/* Of one whose result had come, and was kept while the instance was asleep. */
static pw_value kept_output(pw_step *step, pw_frame *frame)
{
    pw_value output = frame->args, thrown = step->thrown;
    if (frame->task->output_as && !pw_eval_template(step, frame, frame->task->output_as,
                                                    frame->args, (pw_value){ 0 }, &output))
        output = frame->args;
    step->thrown = thrown;
    return output;
}

void pw_undo_left(pw_step *step, pw_frame *frame)
{
    if (step->program->compensation.count == 0)
        return;
    if (has_output(frame)) {
        pw_undo_done(step, frame, kept_output(step, frame));
        return;
    }
    if (has_child(step, frame)) {
        pw_undo_child(step, frame);
        return;
    }
    if (!may_have_done(step, frame))
        return;
    const pw_frame *owner = owner_of(frame);
    frame->doubt = false;
    if (owner && owner != frame)
        tell_owner(owner);
    else if (owner && frame->task->undo)
        add_row(step, frame, pw_null(), PW_UNDO_UNKNOWN);
}

void pw_undo_asked_anew(pw_step *step, pw_frame *frame, pw_str key)
{
    if (frame->doubt && !pw_str_eq(frame->key, key)) {
        pw_undo_left(step, frame);
        frame->doubt = false;
    }
    frame->key = key;
}

/* ------------------------------------------------------------------ what is open */

typedef struct open_list {
    pw_step *step;       /* NULL: of a state that is committed */
    pw_undo_step *items; /* NULL: they are counted only */
    size_t count;
    pw_arena *arena;
} open_list;

/* Its `if` may say that there is nothing to undo. */
static bool would_leave_a_row(pw_step *step, pw_frame *frame)
{
    bool wanted = true;
    pw_value thrown = step->thrown;
    size_t literals = step->literals.count;
    pw_value output = has_output(frame) ? kept_output(step, frame) : pw_null();
    (void)is_wanted(step, frame, output, &wanted);
    step->thrown = thrown;
    step->literals.count = literals; /* it is evaluated again when the row is made */
    return wanted;
}

static void look_at(void *context, const pw_frame *frame)
{
    open_list *list = context;
    const pw_frame *owner = frame->task ? owner_of(frame) : NULL;
    bool child = owner && has_child(list->step, frame);
    if (owner != frame || !owner ||
        !(child || has_output(frame) || may_have_done(list->step, frame)))
        return;
    if (list->step && frame->task->undo &&
        !would_leave_a_row(list->step, (pw_frame *)(uintptr_t)frame))
        return;
    if (list->items) {
        pw_undo_step *row = &list->items[list->count];
        row->task = frame->task->pointer;
        row->visit = frame->visit;
        row->key = frame->key;
        row->branch = branch_of(list->arena, frame);
        row->child = child ? frame->key : (pw_str){ 0 };
        row->state = child || has_output(frame) ? PW_UNDO_REGISTERED : PW_UNDO_UNKNOWN;
    }
    list->count++;
}

bool pw_undo_any(pw_step *step)
{
    open_list list = { .step = step };
    if (step->program->compensation.count == 0)
        return false;
    if (step->state->undo_count == 0)
        pw_frames_each(step->state->root, look_at, &list);
    return step->state->undo_count > 0 || list.count > 0;
}

pawl_code pw_state_undo_open(pw_undo_step **out, size_t *count, const pw_state *state,
                             const pw_program *program, pw_arena *arena, pawl_error *err)
{
    open_list list = { .arena = arena };
    bool open = program->compensation.count > 0 && !pw_is_over(state);
    if (open)
        pw_frames_each(state->root, look_at, &list);
    list.items = PW_NEW_ARRAY(arena, pw_undo_step, list.count + 1);
    if (!list.items)
        return pw_no_memory(err);
    list.count = 0;
    if (open)
        pw_frames_each(state->root, look_at, &list);
    if (arena->failed)
        return pw_no_memory(err);
    *out = list.items;
    *count = list.count;
    return PAWL_OK;
}

uint64_t pw_state_undo_count(const pw_state *state)
{
    return state->undo_count;
}

const pw_task *pw_program_task(const pw_program *program, pw_str pointer)
{
    for (uint32_t i = 0; i < program->task_count; i++)
        if (pw_str_eq(program->tasks[i]->pointer, pointer))
            return program->tasks[i];
    return NULL;
}

/* ------------------------------------------------------------------ with what */

bool pw_task_with(pw_step *step, pw_frame *frame, const pw_template *with, pw_value *out)
{
    if (pw_undo_is_step(frame)) {
        *out = frame->input;
        return true;
    }
    *out = pw_object_of(step->arena, NULL, 0);
    return !with || pw_eval_template(step, frame, with, frame->input, (pw_value){ 0 }, out);
}
