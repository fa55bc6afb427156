/* compensate.c - what was done is undone, in reverse order.
 *
 * A COMPENSATE asks for rows of the plan (pw_state_plan_wanted), a page at a time, from the highest
 * ordinal down; the engine reads them and gives them by PLAN. Each becomes a child, PLANNED until
 * its turn: when nothing that was done later, and is ordered with it, has still to be undone. Only
 * two things are not ordered: what was done in different branches of the same fork. Then it is a
 * task like any other, whose input are the arguments that were evaluated when the other one ended;
 * its path is made of its ordinal alone, so that its calls have the same keys whoever carries it
 * out, and however often.
 *
 * No try around a COMPENSATE catches the error of a step. One that is optional lets it pass, any
 * other is an incident in its place, and can be mended like any.
 *
 * The frame of a COMPENSATE: `entry` and `at` say how far the plan was read; `error` of the whole is
 * what the instance had faulted with; `args` has the numbers of steps that are done (d), have failed
 * (f) or were skipped (s), and `pa` if a parent has asked for it, which gets them as an answer. */
#include "core/step.h"
#include "base/json.h"

#define LOADED_MAX 32u /* steps in the state at a time; more are asked for when half are over */

/* ------------------------------------------------------------------ order */

/* Unless they are of different branches of the same fork. */
static bool is_ordered(pw_str a, pw_str b)
{
    size_t at = 0, part = 0, dot = 0;
    for (; at < a.len && at < b.len && a.ptr[at] == b.ptr[at]; at++) {
        if (a.ptr[at] == '/')
            part = at + 1;
        else if (a.ptr[at] == '.')
            dot = at + 1;
    }
    pw_str rest =
        at < a.len ? (pw_str){ a.ptr + at, a.len - at } : (pw_str){ b.ptr + at, b.len - at };
    bool within = (at == a.len || at == b.len) && (rest.len == 0 || rest.ptr[0] == '/');
    return within || dot <= part; /* they part before the number of a branch */
}

static bool is_free(const pw_frame *scope, const pw_frame *frame)
{
    for (const pw_frame *later = scope->child; later != frame; later = later->next)
        if (is_ordered(later->branch, frame->branch))
            return false;
    return true;
}

static pw_frame *next_free(const pw_frame *scope)
{
    for (pw_frame *frame = scope->child; frame; frame = frame->next)
        if (frame->phase == PHASE_PLANNED && is_free(scope, frame))
            return frame;
    return NULL;
}

/* ------------------------------------------------------------------ the end */

static int64_t count_of(const pw_frame *frame, const char *which)
{
    int64_t count;
    return pw_integer(pw_get_lit(frame->args, which), &count) ? count : 0;
}

static pw_value counts_of(pw_step *step, const pw_frame *frame)
{
    const pw_member members[] = { { PW_LIT("done"), pw_int(count_of(frame, "d")) },
                                  { PW_LIT("failed"), pw_int(count_of(frame, "f")) },
                                  { PW_LIT("skipped"), pw_int(count_of(frame, "s")) } };
    return pw_object_of(step->arena, members, PW_LENGTH(members));
}

static bool is_whole(const pw_step *step, const pw_frame *frame)
{
    return step->program->compensation.count && frame->task == step->program->compensation.tasks[0];
}

static void record_completed(pw_step *step, const pw_frame *frame, pw_value counts)
{
    PW_RECORD(step, "compensation.completed", frame, { PW_LIT("done"), pw_get_lit(counts, "done") },
              { PW_LIT("failed"), pw_get_lit(counts, "failed") },
              { PW_LIT("skipped"), pw_get_lit(counts, "skipped") });
}

static void finish(pw_step *step, pw_frame *frame)
{
    pw_value counts = counts_of(step, frame);
    record_completed(step, frame, counts);
    if (!is_whole(step, frame)) {
        pw_flow_finish(step, frame, counts);
        return;
    }
    const pw_member *about = pw_members(counts);
    pw_record_notice(step, frame, "io.pawl.instance.compensated.v1", about, counts.count);
    step->error = frame->error;
    if (!pw_is(pw_get_lit(frame->args, "pa"), PW_NONE))
        step->answer = counts;
    pw_flow_end(step, PW_COMPENSATED);
}

/* ------------------------------------------------------------------ steps */

static void push_change(pw_step *step, const pw_frame *frame, pw_undo_state state, uint64_t visit,
                        pw_value error)
{
    pw_undo_change *change = PW_PUSH(step, undo_changes, pw_undo_change);
    change->ordinal = frame->entry;
    change->state = state;
    change->visit = visit;
    if (pw_is(error, PW_NONE))
        return;
    change->error = pw_json_text(step->arena, error, PW_JSON_COMPACT);
    if (!change->error.ptr)
        pw_step_abort(step, PAWL_NO_MEMORY, "out of memory");
}

/* A person must say whether it is to be carried out. */
static void ask(pw_step *step, pw_frame *frame)
{
    pw_str undone = frame->task->undoes->pointer;
    frame->class_ = 1 + PW_CLASS_UNKNOWN;
    pw_fault_stop(step, frame,
                  pw_problem(step, frame, "communication", 502,
                             "whether there is anything to undo is unknown",
                             "nobody knows whether " PW_FMT
                             " had its effect; look there, then retry with "
                             "--confirm to undo it, or skip it",
                             PW_ARG(undone)));
}

/* Its turn has come. */
static void start(pw_step *step, pw_frame *frame)
{
    const pw_undo *undo = frame->task->undoes ? frame->task->undoes->undo : NULL;
    pw_value error = frame->error;
    pw_when_unknown when = frame->doubt && undo ? undo->when_unknown : PW_UNKNOWN_RUN;
    if (frame->doubt && when == PW_UNKNOWN_SKIP) {
        pw_undo_over(step, frame, PW_UNDO_SKIPPED, (pw_value){ 0 });
        return;
    }
    bool asks = frame->doubt && when == PW_UNKNOWN_ASK;
    if (asks || !pw_is(error, PW_NONE)) { /* as one that has begun, but for its instant */
        frame->phase = PHASE_BODY;
        frame->input = frame->raw;
        frame->raw = frame->error = (pw_value){ 0 };
    }
    if (asks) {
        ask(step, frame);
    } else if (!pw_is(error, PW_NONE)) {
        pw_flow_raise(step, frame, error);
    } else {
        frame->doubt = false;
        frame->phase = PHASE_READY;
        pw_flow_enqueue(step, frame);
    }
}

/* Whoever is over may have been the last one that another has waited for. */
static void go_on(pw_step *step, pw_frame *scope)
{
    pw_frame *frame;
    if (pw_is_asleep(step->state))
        return;
    while (!step->ended && !scope->gone && (frame = next_free(scope)))
        start(step, frame);
    if (!step->ended && !scope->gone && !scope->child && scope->at)
        finish(step, scope);
}

void pw_undo_begin(pw_step *step, pw_frame *frame)
{
    const pw_task *undone = frame->task->undoes ? frame->task->undoes : frame->task;
    push_change(step, frame, PW_UNDO_RUNNING, frame->visit, (pw_value){ 0 });
    PW_RECORD(step, "compensation.step", frame,
              { PW_LIT("ordinal"), pw_int((int64_t)frame->entry) },
              { PW_LIT("undoes"), pw_string_ref(undone->pointer) });
}

void pw_undo_over(pw_step *step, pw_frame *frame, pw_undo_state state, pw_value error)
{
    pw_frame *scope = frame->parent;
    const char *which = state == PW_UNDO_DONE ? "d" : state == PW_UNDO_FAILED ? "f" : "s";
    if (state != PW_UNDO_DONE)
        PW_RECORD(step, state == PW_UNDO_FAILED ? "compensation.failed" : "compensation.skipped",
                  frame, { PW_LIT("ordinal"), pw_int((int64_t)frame->entry) },
                  { PW_LIT("error"), error });
    push_change(step, frame, state, 0, error);
    scope->args =
        pw_with(step->arena, scope->args, pw_str_of(which), pw_int(count_of(scope, which) + 1));
    if (!frame->gone)
        pw_flow_detach(step, frame);
    go_on(step, scope);
}

void pw_undo_closed(pw_step *step, const pw_frame *frame)
{
    if (pw_undo_is_step(frame) && frame->started_ms)
        push_change(step, frame, PW_UNDO_REGISTERED, 0, (pw_value){ 0 });
}

/* ------------------------------------------------------------------ the plan */

static uint32_t children_of(const pw_frame *frame)
{
    uint32_t count = 0;
    for (const pw_frame *child = frame->child; child; child = child->next)
        count++;
    return count;
}

bool pw_undo_wants(const pw_frame *frame)
{
    return frame->task && frame->task->kind == PW_TASK_COMPENSATE && frame->phase == PHASE_BODY &&
           !frame->at && children_of(frame) <= LOADED_MAX / 2;
}

static void look_for_one(void *context, const pw_frame *frame)
{
    const pw_frame **found = context;
    if (!*found && pw_undo_wants(frame))
        *found = frame;
}

bool pw_state_plan_wanted(pw_plan_wanted *out, const pw_state *state)
{
    const pw_frame *frame = NULL;
    if (state->undo_count == 0 || pw_is_asleep(state) || pw_frames_rest(state->root).plans == 0)
        return false;
    pw_frames_each(state->root, look_for_one, &frame);
    *out = (pw_plan_wanted){ .visit = frame->visit,
                             .below = frame->entry,
                             .most = LOADED_MAX - children_of(frame),
                             .scope = frame->task->as.scope };
    return true;
}

typedef struct open_search {
    uint64_t ordinal;
    bool found;
} open_search;

static void look_for_step(void *context, const pw_frame *frame)
{
    open_search *search = context;
    search->found = search->found || (frame->entry == search->ordinal && frame->task &&
                                      frame->task->kind != PW_TASK_COMPENSATE);
}

/* By another COMPENSATE beside this one. */
static bool is_open(const pw_step *step, uint64_t ordinal)
{
    open_search search = { .ordinal = ordinal };
    if (pw_frames_rest(step->state->root).undoing > 1)
        pw_frames_each(step->state->root, look_for_step, &search);
    return search.found;
}

static pw_value parsed(pw_step *step, pw_str text)
{
    pw_value v = { 0 };
    pawl_error error;
    pawl_code code = text.len ? pw_json_parse(&v, text, NULL, step->arena, &error) : PAWL_OK;
    if (code != PAWL_OK)
        pw_step_abort(step, code == PAWL_NO_MEMORY ? code : PAWL_CORRUPT,
                      code == PAWL_NO_MEMORY ? "out of memory"
                                             : "a step of a compensation plan is not JSON");
    return v;
}

/* What carries it out: the undo of its task, or for a child the task that has run it. */
static const pw_task *task_of(pw_step *step, const pw_undo_step *row)
{
    const pw_task *task = pw_program_task(step->program, row->task);
    bool good = task && (row->child.len ? task->kind == PW_TASK_RUN : task->undo != NULL);
    if (!good)
        pw_step_abort(step, PAWL_CORRUPT,
                      "a step of a compensation plan is of no task of its program");
    return row->child.len ? task : task->undo->task;
}

static void load(pw_step *step, pw_frame *scope, const pw_undo_step *row)
{
    static const char seed[] = "compensation";
    const pw_task *task = task_of(step, row);
    pw_member child[] = { { PW_LIT("child"),
                            pw_str_value(pw_arena_str(step->arena, row->child)) } };
    pw_value arguments =
        row->child.len ? pw_object_of(step->arena, child, 1) : parsed(step, row->arguments);
    bool none = pw_is(arguments, PW_NONE);
    pw_frame *frame = pw_flow_add(step, scope, task, none ? pw_null() : arguments);
    frame->phase = PHASE_PLANNED;
    frame->entry = row->ordinal;
    frame->path = pw_hash64(pw_hash64(0, seed, sizeof seed), &row->ordinal, sizeof row->ordinal);
    frame->branch = pw_arena_str(step->arena, row->branch);
    frame->doubt = row->state == PW_UNDO_UNKNOWN;
    if (!none)
        return;
    frame->error = parsed(step, row->error);
    if (pw_is(frame->error, PW_NONE))
        pw_step_abort(step, PAWL_CORRUPT, "a step of a compensation plan has no arguments");
}

pw_verdict pw_undo_plan(pw_step *step)
{
    const pw_event *event = step->event;
    pw_frame *scope = pw_is_over(step->state) ? NULL : pw_step_find(step, event->visit, PHASE_BODY);
    if (!scope || !scope->task || scope->task->kind != PW_TASK_COMPENSATE || scope->at ||
        scope->entry != event->number)
        return pw_done(); /* it was read for what is over */
    int64_t loaded = 0;
    for (size_t i = 0; i < event->plan_count; i++) {
        const pw_undo_step *row = &event->plan[i];
        if (row->ordinal >= scope->entry)
            pw_step_abort(step, PAWL_CORRUPT, "the steps of a compensation plan are not in order");
        scope->entry = row->ordinal;
        if (is_open(step, row->ordinal))
            continue;
        load(step, scope, row);
        loaded++;
    }
    scope->at = event->plan_ends || scope->entry <= 1;
    PW_RECORD(step, "compensation.planned", scope, { PW_LIT("steps"), pw_int(loaded) },
              { PW_LIT("more"), scope->at ? (pw_value){ 0 } : pw_bool(true) });
    go_on(step, scope);
    return pw_done();
}

/* ------------------------------------------------------------------ the beginning */

void pw_undo_compensate(pw_step *step, pw_frame *frame)
{
    const pw_str scope = frame->task->as.scope;
    frame->entry = step->state->undo_count + 1;
    frame->at = step->state->undo_count == 0;
    if (pw_is(frame->args, PW_NONE))
        frame->args = pw_object_of(step->arena, NULL, 0);
    PW_RECORD(step, "task.started", frame, { PW_LIT("scope"), pw_str_value(scope) });
    go_on(step, frame);
}

void pw_undo_wake(pw_step *step)
{
    const pw_search held = { .kind = SEARCH_HELD };
    pw_frame *root = step->state->root;
    pw_list_of scopes = { 0 };
    for (pw_frame *f = root; f; f = pw_step_walk(step, f, root, held))
        if (f->task && f->task->kind == PW_TASK_COMPENSATE && f->phase == PHASE_BODY)
            *(pw_frame **)pw_step_push(step, &scopes, sizeof f) = f;
    for (size_t i = 0; i < scopes.count && !step->ended; i++)
        if (!((pw_frame **)scopes.items)[i]->gone)
            go_on(step, ((pw_frame **)scopes.items)[i]);
}

static const pw_frame *compensation_around(const pw_frame *frame)
{
    while (frame && !(frame->task && frame->task->kind == PW_TASK_COMPENSATE))
        frame = frame->parent;
    return frame;
}

bool pw_undo_on_fault(pw_step *step, const pw_frame *at)
{
    return step->program->undo_on_fault && !step->state->compensating && !compensation_around(at) &&
           pw_undo_any(step);
}

bool pw_undo_on_cancel(pw_step *step)
{
    return step->program->undo_on_cancel && !step->state->compensating &&
           !step->state->root->schedule && pw_undo_any(step);
}

void pw_undo_begin_whole(pw_step *step, const char *trigger, pw_value error)
{
    pw_state *state = step->state;
    pw_frame *root = state->root;
    pw_str by = pw_str_is(pw_str_of(trigger), "faulted") ? PW_LIT("system") : pw_event_actor(step);
    bool asked = pw_str_is(pw_str_of(trigger), "parent");
    PW_RECORD(step, "compensation.started", NULL, { PW_LIT("by"), pw_string_ref(by) },
              { PW_LIT("reason"), pw_str_value(pw_arena_str(step->arena, step->event->reason)) },
              { PW_LIT("trigger"), pw_string_ref(pw_str_of(trigger)) },
              { PW_LIT("registered"), pw_int((int64_t)state->undo_count) });
    step->undoing = true;
    while (root->child)
        pw_flow_close(step, root->child, "the instance is compensated");
    step->undoing = false;
    pw_incident_over(step, "compensating");
    root->error = root->args = (pw_value){ 0 };
    root->timeout_ms = root->due_ms = PW_WAKE_NEVER;
    state->suspended_by = state->suspended_reason = (pw_str){ 0 };
    state->status = PW_COMPENSATING;
    state->compensating = true;
    pw_frame *frame = pw_flow_spawn(step, root, step->program->compensation.tasks[0], root->input);
    frame->error = error;
    const pw_member pa[] = { { PW_LIT("pa"), asked ? pw_int(1) : (pw_value){ 0 } } };
    frame->args = pw_object_of(step->arena, pa, 1);
}

/* ------------------------------------------------------------------ on request */

static pw_value error_of(pw_step *step)
{
    const pw_search held = { .kind = SEARCH_HELD };
    pw_frame *root = step->state->root;
    if (!step->state->incident || !pw_is(root->error, PW_NONE))
        return root->error;
    for (pw_frame *f = root; f; f = pw_step_walk(step, f, root, held))
        if (f->phase == PHASE_FAULTED)
            return f->error;
    return (pw_value){ 0 };
}

/* It waits for the end from now on. */
static void adopt(pw_step *step)
{
    step->state->parent = pw_arena_str(step->arena, step->event->parent);
    step->state->parent_visit = step->event->parent_visit;
}

static pw_verdict join(pw_step *step)
{
    const pw_task *whole = step->program->compensation.tasks[0];
    if (!step->event->parent.len)
        return pw_repeated("it is being compensated");
    adopt(step);
    for (pw_frame *f = step->state->root->child; f; f = f->next)
        if (f->task == whole)
            f->args = pw_with(step->arena, f->args, PW_LIT("pa"), pw_int(1));
    PW_RECORD(step, "compensation.awaited", NULL,
              { PW_LIT("parent"), pw_string_ref(step->state->parent) });
    return pw_done();
}

/* A parent that asks is answered in any case; what still runs of it ends. */
static pw_verdict nothing_to_undo(pw_step *step)
{
    const pw_frame none = { 0 };
    pw_state *state = step->state;
    if (!step->event->parent.len)
        return state->status == PW_COMPENSATED
                   ? pw_repeated("it was compensated before")
                   : pw_refused(step, PAWL_STATE, PAWL_REASON_NO_COMPENSATION,
                                "nothing was done that could be undone");
    adopt(step);
    step->answer = counts_of(step, &none);
    if (!pw_is_over(state))
        return pw_step_cancel(step);
    record_completed(step, NULL, step->answer);
    pw_child_tell_parent(step);
    return pw_done();
}

pw_verdict pw_undo_command(pw_step *step)
{
    const pw_event *event = step->event;
    pw_state *state = step->state;
    if (state->root->schedule)
        return pw_refused(step, PAWL_STATE, PAWL_REASON_NO_COMPENSATION,
                          "a schedule does nothing that could be undone");
    if (event->task.len)
        return pw_refused(
            step, PAWL_INVALID, PAWL_REASON_NONE,
            "only all of an instance can be undone by a command; a definition undoes a part with "
            "`call: compensate` and `with: {scope: ...}`");
    if (state->compensating)
        return join(step);
    if (state->status == PW_COMPENSATED || !pw_undo_any(step))
        return nothing_to_undo(step);
    if (event->parent.len)
        adopt(step);
    pw_undo_begin_whole(step, event->parent.len ? "parent" : "request", error_of(step));
    return pw_done();
}

/* ------------------------------------------------------------------ what people are told */

pw_str pw_undo_advice(pw_step *step, const pw_frame *at, pw_str action)
{
    const pw_frame *scope = compensation_around(at);
    pw_str id = step->identity->instance;
    if (scope) {
        unsigned long long below = scope->at ? 0 : (unsigned long long)scope->entry - 1;
        return pw_arena_printf(step->arena,
                               PW_FMT " Of the compensation %u step%s left%s; "
                                      "`pawl compensate --plan " PW_FMT "` shows what.",
                               PW_ARG(action), children_of(scope),
                               children_of(scope) == 1 ? " is" : "s are",
                               below ? ", and those before them" : "", PW_ARG(id));
    }
    if (step->state->undo_count == 0)
        return action;
    return pw_arena_printf(step->arena,
                           PW_FMT " What was done can be undone: %llu step%s registered, "
                                  "`pawl compensate --plan " PW_FMT "` shows what is left.",
                           PW_ARG(action), (unsigned long long)step->state->undo_count,
                           step->state->undo_count == 1 ? " was" : "s were", PW_ARG(id));
}
