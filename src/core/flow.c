/* flow.c - scopes and order: which task runs next, and who catches an error.
 *
 * A task that is to run becomes a READY frame in a queue, so that a step can stop between any two
 * tasks and go on in the next step. Everything else - finishing a task, which may finish the scopes
 * around it - is done at once; scopes nest at most PW_SCOPES_MAX deep, which bounds that recursion.
 */
#include "core/step.h"
#include "base/json.h"

/* ------------------------------------------------------------------ frames and the queue */

void pw_flow_enqueue(pw_step *step, pw_frame *frame)
{
    if (step->queue_count == step->queue_size) {
        size_t size = step->queue_size ? step->queue_size * 2 : 16;
        step->queue =
            pw_arena_grow(step->arena, step->queue, step->queue_size * sizeof *step->queue,
                          size * sizeof *step->queue);
        step->queue_size = size;
    }
    step->queue[step->queue_count++] = frame;
}

pw_frame *pw_flow_add(pw_step *step, pw_frame *parent, const pw_task *task, pw_value raw)
{
    pw_frame *frame = PW_NEW(step->arena, pw_frame);
    uint64_t place[3] = { task->index, parent->ordinal++, 0 };
    if (parent->task &&
        (parent->task->kind == PW_TASK_FOR || parent->task->kind == PW_TASK_LISTEN))
        place[2] = parent->at;
    frame->parent = parent;
    frame->task = task;
    frame->phase = PHASE_READY;
    frame->visit = ++step->state->visits;
    frame->path = pw_hash64(parent->path, place, sizeof place);
    frame->raw = raw;
    frame->around = pw_frame_around(parent);
    frame->timeout_ms = frame->due_ms = PW_WAKE_NEVER;
    if (parent->last)
        parent->last->next = frame;
    else
        parent->child = frame;
    parent->last = frame;
    return frame;
}

pw_frame *pw_flow_spawn(pw_step *step, pw_frame *parent, const pw_task *task, pw_value raw)
{
    pw_frame *frame = pw_flow_add(step, parent, task, raw);
    pw_flow_enqueue(step, frame);
    return frame;
}

void pw_flow_detach(pw_step *step, pw_frame *frame)
{
    pw_frame *parent = frame->parent, *before = NULL;
    for (pw_frame *at = parent->child; at != frame; at = at->next)
        before = at;
    if (before)
        before->next = frame->next;
    else
        parent->child = frame->next;
    if (parent->last == frame)
        parent->last = before;
    frame->gone = true;
    pw_branches_drop(step, frame);
    if (parent->branches)
        pw_branches_ended(step, parent, frame->task->position, (pw_value){ 0 });
}

void pw_flow_run(pw_step *step)
{
    while (!step->ended && step->queue_head < step->queue_count) {
        pw_frame *frame = step->queue[step->queue_head];
        bool here = step->again && step->again->until && step->again->until == frame->visit;
        if (!frame->gone && (step->budget == 0 || here)) {
            step->cut = true;
            if (here)
                step->again->reached = true;
            return;
        }
        step->queue_head++;
        if (frame->gone)
            continue;
        step->budget--;
        step->begun++;
        pw_task_begin(step, frame);
    }
}

/* ------------------------------------------------------------------ closing without effect */

static void drop(pw_list_of *list, size_t at, size_t item_size)
{
    char *item = (char *)list->items + at * item_size;
    memmove(item, item + item_size, (--list->count - at) * item_size);
}

/* What this very step has opened for the frame is not committed yet: it is not opened at all. */
static bool take_back(pw_step *step, const pw_frame *frame)
{
    const pw_call_intent *calls = step->calls.items;
    const pw_bookmark *bookmarks = step->bookmarks.items;
    const pw_work *work = step->work.items;
    const pw_inbox_message *messages = step->messages.items;
    for (size_t i = step->messages.count; i-- > 0 && frame->phase == PHASE_CHILD;)
        if (pw_str_eq(messages[i].target, frame->key))
            drop(&step->messages, i, sizeof *messages); /* its start; its bookmark is below */
    for (size_t i = step->calls.count; i-- > 0;)
        if (calls[i].visit == frame->visit) {
            drop(&step->calls, i, sizeof *calls);
            return true;
        }
    for (size_t i = step->bookmarks.count; i-- > 0;)
        if (bookmarks[i].visit == frame->visit) {
            drop(&step->bookmarks, i, sizeof *bookmarks);
            return true;
        }
    for (size_t i = step->work.count; i-- > 0;)
        if (work[i].visit == frame->visit && !work[i].cancel) {
            drop(&step->work, i, sizeof *work);
            return true;
        }
    return false;
}

static bool holds_something(const pw_frame *frame)
{
    return frame->phase == PHASE_CALL || frame->phase == PHASE_WORK || frame->phase == PHASE_USER ||
           frame->phase == PHASE_TIMER || frame->phase == PHASE_CHILD ||
           (frame->phase == PHASE_RETRY && !pw_frame_tries_again(frame)) || pw_listen_is_open(frame);
}

/* What a frame holds outside of the state: its bookmark, its call, its attempt. */
static void release(pw_step *step, pw_frame *frame)
{
    if (pw_listen_is_open(frame)) {
        pw_listen_close(step, frame, false);
        return;
    }
    if (!holds_something(frame) || take_back(step, frame))
        return;
    if (frame->phase == PHASE_CHILD)
        pw_child_let_go(step, frame);
    if (frame->phase == PHASE_CALL || frame->phase == PHASE_WORK)
        frame->doubt = true; /* it may have its effect, and nobody will hear of it */
    if (frame->phase == PHASE_CALL) {
        pw_call_outcome *outcome = PW_PUSH(step, outcomes, pw_call_outcome);
        outcome->visit = frame->visit;
        outcome->key = frame->key;
        outcome->state = PW_CALL_ABANDONED;
    } else if (frame->phase == PHASE_WORK) {
        pw_work *work = PW_PUSH(step, work, pw_work);
        *work = pw_call_work_of(frame, step->arena);
        work->cancel = true;
    } else {
        pw_bookmark_end *end = PW_PUSH(step, bookmark_ends, pw_bookmark_end);
        end->visit = frame->visit;
        end->key = frame->key;
        end->by = step->event->actor;
    }
}

/* The same of a frame that ends with it. */
static void let_go(pw_step *step, pw_frame *frame)
{
    pw_undo_left(step, frame);
    release(step, frame);
}

static void cancelled(pw_step *step, const pw_frame *frame, const char *why)
{
    pw_undo_closed(step, frame);
    if (frame->phase == PHASE_FAULTED || frame->phase == PHASE_PLANNED)
        return; /* it has ended, and was told of; or it is not heard of before its turn */
    PW_RECORD(step, "task.cancelled", frame, { PW_LIT("reason"), pw_string_ref(pw_str_of(why)) });
    if (frame->phase != PHASE_READY) /* one that has not begun was never told of */
        pw_record_task(step, PW_LIFE_CANCELLED, frame, (pw_value){ 0 });
}

void pw_flow_close_inside(pw_step *step, pw_frame *scope, const char *why)
{
    if (scope->branches)
        pw_branches_wake(step, scope, &(pw_search){ .kind = SEARCH_ALL });
    for (pw_frame *frame = scope->child, *next = NULL; frame; frame = next) {
        next = pw_step_walk(step, frame, scope, (pw_search){ .kind = SEARCH_ALL });
        let_go(step, frame);
        frame->gone = true;
        pw_branches_drop(step, frame);
        cancelled(step, frame, why);
    }
    scope->child = scope->last = NULL;
    pw_branches_drop(step, scope);
}

void pw_flow_close(pw_step *step, pw_frame *frame, const char *why)
{
    pw_flow_close_inside(step, frame, why);
    if (!frame->task)
        return;
    let_go(step, frame);
    cancelled(step, frame, why);
    pw_flow_detach(step, frame);
}

/* ------------------------------------------------------------------ the end of the workflow */

void pw_flow_end(pw_step *step, pw_status status)
{
    pw_state *state = step->state;
    step->ended = true;
    state->status = status;
    if (state->incident && state->compensating)
        return; /* who waits for it waits for the end of the compensation */
    pw_child_tell_parent(step);
    if (state->incident)
        return; /* its scopes are kept for who mends it */
    state->compensating = false;
    step->state->root->child = step->state->root->last = NULL;
    step->state->context = pw_null();
}

void pw_flow_complete_with(pw_step *step, pw_value output)
{
    step->output = output;
    PW_RECORD(step, "instance.completed", NULL, { PW_LIT("output"), output });
    pw_record_lifecycle(step, PW_LIFE_COMPLETED, output);
    pw_flow_end(step, PW_COMPLETED);
}

void pw_flow_complete(pw_step *step, pw_value output)
{
    pw_frame *root = step->state->root;
    pw_value raw = output;
    if (!root->schedule &&
        ((step->program->output_as &&
          !pw_eval_template(step, root, step->program->output_as, raw, (pw_value){ 0 }, &output)) ||
         !pw_data_fits(step, root, step->program->schemas.output, output, "output"))) {
        root->args = raw;
        pw_flow_raise_within(step, root, step->thrown);
        return;
    }
    pw_flow_complete_with(step, output);
}

/* ------------------------------------------------------------------ errors */

static void faulted(pw_step *step, const pw_frame *frame, pw_value problem)
{
    PW_RECORD(step, "task.faulted", frame, { PW_LIT("error"), problem });
    pw_record_task(step, PW_LIFE_FAULTED, frame, problem);
}

/* Of an error for which `from` is the innermost scope that may catch it. */
static pw_catcher catcher_of(pw_step *step, pw_frame *from, pw_value problem)
{
    pw_catcher catcher = { .frame = from, .problem = problem };
    for (; catcher.frame; catcher.frame = catcher.frame->parent) {
        pw_frame *scope = catcher.frame;
        if (scope->task && scope->task->kind == PW_TASK_TRY && scope->phase == PHASE_BODY) {
            catcher.decision = pw_catch_decide(step, scope, &catcher.problem);
            if (catcher.decision.kind != CATCH_NOT)
                break;
            catcher.replaced = catcher.replaced || catcher.decision.failed;
        }
        if (pw_fork_outlives(scope))
            break;
        if (pw_undo_is_step(scope)) { /* no try sees the error of a step of a plan */
            bool optional = scope->task->undoes && scope->task->undoes->undo->optional;
            catcher.frame = optional ? scope->parent : NULL;
            break;
        }
    }
    return catcher;
}

pw_catcher pw_flow_catcher(pw_step *step, pw_frame *frame, pw_value problem)
{
    if (pw_undo_is_step(frame)) /* it is in no scope but its own */
        return catcher_of(step, frame, problem);
    return catcher_of(step, frame->parent, problem);
}

/* An error came up at `at`: a task that failed, or the scope itself. */
static void propagate(pw_step *step, pw_frame *at, const pw_catcher *caught)
{
    pw_frame *catcher = caught->frame;
    if (!catcher) {
        pw_fault_stop(step, at, caught->problem);
        return;
    }
    pw_frame *last = at;
    for (pw_frame *scope = at->parent; at != catcher && scope != catcher; scope = scope->parent)
        faulted(step, scope, caught->problem);
    if (at != catcher) { /* the failing line of frames has its entries; what runs beside it is
                            cancelled */
        pw_flow_close_inside(step, at, "the task failed");
        for (pw_frame *scope = at; scope != catcher;) {
            pw_frame *parent = scope->parent;
            let_go(step, scope);
            pw_flow_detach(step, scope);
            last = scope;
            if (parent != catcher)
                pw_flow_close_inside(step, parent, "another branch failed");
            scope = parent;
        }
    }
    if (catcher->task->kind == PW_TASK_COMPENSATE) {
        pw_undo_over(step, last, PW_UNDO_FAILED, caught->problem);
        return;
    }
    if (caught->decision.kind == CATCH_NOT) {
        pw_fork_branch_failed(catcher, caught->problem);
        return;
    }
    pw_flow_close_inside(step, catcher, "an error was caught");
    pw_catch_act(step, catcher, &caught->decision, caught->problem);
}

void pw_flow_raise_to(pw_step *step, pw_frame *frame, pw_value problem, const pw_catcher *catcher)
{
    faulted(step, frame, problem);
    if (frame->phase == PHASE_CHILD)
        pw_undo_left(step, frame);
    if (frame->phase != PHASE_READY && frame->phase != PHASE_PARKED)
        release(step, frame);
    frame->phase = PHASE_BODY; /* it holds nothing any more */
    propagate(step, frame, catcher);
}

void pw_flow_raise(pw_step *step, pw_frame *frame, pw_value problem)
{
    const pw_catcher catcher = pw_flow_catcher(step, frame, problem);
    frame->class_ = 0;
    pw_flow_raise_to(step, frame, problem, &catcher);
}

void pw_flow_raise_within(pw_step *step, pw_frame *frame, pw_value problem)
{
    const pw_catcher catcher = catcher_of(step, frame, problem);
    if (frame != catcher.frame && frame->task) /* it has not failed itself, and ends with this */
        faulted(step, frame, catcher.problem);
    propagate(step, frame, &catcher);
}

/* ------------------------------------------------------------------ order */

static void list_done(pw_step *step, pw_frame *scope, pw_value output)
{
    if (!scope->task) {
        pw_flow_complete(step, output);
    } else if (scope->task->kind == PW_TASK_FOR) {
        scope->at++;
        scope->ordinal = 0;
        pw_task_next_item(step, scope, output);
    } else if (scope->task->kind == PW_TASK_LISTEN) {
        pw_listen_item_done(step, scope, output);
    } else if (scope->task->kind == PW_TASK_TRY && scope->phase == PHASE_HANDLER &&
               scope->task->as.attempt.has_then) {
        pw_flow_finish_then(step, scope, output, scope->task->as.attempt.then);
    } else {
        pw_flow_finish(step, scope, output);
    }
}

void pw_flow_start_list(pw_step *step, pw_frame *frame, pw_value data)
{
    const pw_list *list = pw_frame_list(frame, step->program);
    frame->ordinal = 0;
    if (list->count == 0)
        list_done(step, frame, data);
    else
        pw_flow_spawn(step, frame, list->tasks[0], data);
}

/* A task of `scope` has ended well, and its frame is gone. */
static void child_done(pw_step *step, pw_frame *scope, const pw_task *task, pw_value output,
                       pw_flow then)
{
    if (then.kind ==
        PW_FLOW_END) { /* outward, with each scope's output and export, not its `then` */
        pw_flow_close_inside(step, scope, "the workflow ends");
        if (scope->task)
            pw_flow_finish_then(step, scope, output, then);
        else
            pw_flow_complete(step, output);
        return;
    }
    if (scope->task && scope->task->kind == PW_TASK_FUNCTION) {
        pw_flow_finish(step, scope, output);
        return;
    }
    if (scope->task && scope->task->kind == PW_TASK_FORK) {
        pw_fork_branch_done(step, scope, task->position, output);
        return;
    }
    const pw_list *list = pw_frame_list(scope, step->program);
    uint32_t next = then.kind == PW_FLOW_GOTO       ? then.target
                    : then.kind == PW_FLOW_CONTINUE ? task->position + 1
                                                    : list->count;
    if (next < list->count)
        pw_flow_spawn(step, scope, list->tasks[next], output);
    else
        list_done(step, scope, output);
}

bool pw_flow_shape(pw_step *step, pw_frame *frame, const pw_template *output_as,
                   const pw_template *export_as, const pw_schemas *schemas, pw_value *output)
{
    pw_value raw = *output, context = { 0 };
    if (output_as && !pw_eval_template(step, frame, output_as, raw, (pw_value){ 0 }, output))
        return false;
    if (schemas && !pw_data_fits(step, frame, schemas->output, *output, "output"))
        return false;
    if (export_as && !pw_eval_template(step, frame, export_as, *output, *output, &context))
        return false;
    if (schemas &&
        !pw_data_fits(step, frame, schemas->export_,
                      export_as ? context : pw_fork_context(step, frame), "context"))
        return false;
    if (export_as)
        pw_fork_export(step, frame, context);
    return true;
}

void pw_flow_finish(pw_step *step, pw_frame *frame, pw_value output)
{
    pw_flow_finish_then(step, frame, output, frame->task->then);
}

static void completed(pw_step *step, const pw_frame *frame, pw_value output)
{
    const pw_task *task = frame->task;
    bool outside = task->kind == PW_TASK_HTTP || task->kind == PW_TASK_ACTIVITY ||
                   task->kind == PW_TASK_USER || (task->kind == PW_TASK_RUN && task->as.run.await);
    int64_t took = step->event->now_ms - frame->started_ms;
    PW_RECORD(step, "task.completed", frame,
              { PW_LIT("durationMs"), outside || took ? pw_int(took) : (pw_value){ 0 } },
              { PW_LIT("attempt"),
                frame->attempt > 1 && outside ? pw_int(frame->attempt) : (pw_value){ 0 } },
              { PW_LIT("output"), outside ? output : (pw_value){ 0 } });
    pw_record_task(step, PW_LIFE_COMPLETED, frame, output);
}

void pw_flow_finish_then(pw_step *step, pw_frame *frame, pw_value output, pw_flow then)
{
    const pw_task *task = frame->task;
    if (pw_undo_is_step(frame)) {
        completed(step, frame, output);
        pw_undo_over(step, frame, PW_UNDO_DONE, (pw_value){ 0 });
        return;
    }
    if (pw_listen_is_open(frame))
        pw_listen_close(step, frame, true);
    if (!pw_flow_shape(step, frame, task->output_as, task->export_as, task->schemas, &output)) {
        pw_flow_raise(step, frame, step->thrown);
        return;
    }
    pw_undo_done(step, frame, output);
    pw_fork_branch_ends(step, frame);
    completed(step, frame, output);
    pw_frame *scope = frame->parent;
    pw_flow_detach(step, frame);
    child_done(step, scope, task, output, then);
}

static void skipped(pw_step *step, const pw_frame *frame, const char *why)
{
    PW_RECORD(step, "task.skipped", frame, { PW_LIT("reason"), pw_string_ref(pw_str_of(why)) });
}

/* Somebody skips a step of a plan: the frame itself, or it is the body of the function that the step calls. */
static bool skip_step(pw_step *step, pw_frame *frame)
{
    while (!pw_undo_is_step(frame)) {
        frame = frame->parent;
        if (!frame->task || frame->task->kind != PW_TASK_FUNCTION)
            return false;
    }
    pw_flow_close_inside(step, frame, "the step is skipped");
    pw_undo_over(step, frame, PW_UNDO_SKIPPED, (pw_value){ 0 });
    return true;
}

/* The task has not run, its input goes on, and so does the list. */
void pw_flow_skip(pw_step *step, pw_frame *frame, const char *why)
{
    pw_frame *scope = frame->parent;
    pw_undo_left(step, frame);
    if (strcmp(why, "if") != 0 && skip_step(step, frame))
        return;
    skipped(step, frame, why);
    pw_flow_detach(step, frame);
    if (!pw_fork_branch_skipped(step, scope))
        child_done(step, scope, frame->task, frame->raw, (pw_flow){ PW_FLOW_CONTINUE, 0 });
}

void pw_flow_put(pw_step *step, pw_frame *frame, pw_value output)
{
    pw_frame *scope = frame->parent;
    pw_undo_left(step, frame);
    if (skip_step(step, frame))
        return;
    pw_fork_branch_ends(step, frame);
    skipped(step, frame, "by hand");
    pw_flow_detach(step, frame);
    child_done(step, scope, frame->task, output, frame->task->then);
}

/* ------------------------------------------------------------------ time */

static void fire(pw_step *step, pw_frame *frame)
{
    bool timed_out = frame->timeout_ms != PW_WAKE_NEVER &&
                     (frame->due_ms == PW_WAKE_NEVER || frame->timeout_ms < frame->due_ms);
    if (timed_out) {
        frame->timeout_ms = PW_WAKE_NEVER;
        if (!frame->task) {
            pw_flow_raise_within(step, frame,
                                 pw_problem(step, frame, "timeout", 408, "the workflow timed out",
                                            "it did not end within its timeout"));
            return;
        }
        pw_flow_raise(step, frame,
                      pw_problem(step, frame, "timeout", 408, "the task timed out",
                                 "'" PW_FMT "' did not end within its timeout",
                                 PW_ARG(frame->task->name)));
        return;
    }
    frame->due_ms = PW_WAKE_NEVER;
    if (!frame->task) {
        pw_step_begin(step);
        return;
    }
    if (pw_frame_tries_again(frame)) {
        pw_call_again(step, frame);
        return;
    }
    if (frame->phase == PHASE_USER) {
        pw_user_due(step, frame);
        return;
    }
    if (frame->phase == PHASE_BODY) { /* try: limit.attempt.duration */
        pw_flow_raise_within(step, frame,
                             pw_problem(step, frame, "timeout", 408, "an attempt timed out",
                                        "the tasks of '" PW_FMT
                                        "' did not end within the limit of one attempt",
                                        PW_ARG(frame->task->name)));
        return;
    }
    PW_ASSERT(frame->phase == PHASE_TIMER || frame->phase == PHASE_RETRY);
    pw_bookmark_end *end = PW_PUSH(step, bookmark_ends, pw_bookmark_end);
    end->visit = frame->visit;
    end->key = frame->key;
    end->consumed = true;
    if (frame->task->kind == PW_TASK_SCHEDULE)
        pw_schedule_due(step, frame);
    else if (frame->phase == PHASE_TIMER)
        pw_flow_finish(step, frame, frame->input);
    else
        pw_task_retry(step, frame);
}

void pw_flow_due(pw_step *step)
{
    const pw_search due = { .kind = SEARCH_DUE, .now_ms = step->event->now_ms };
    while (!step->ended) {
        pw_frame *root = step->state->root, *first = NULL;
        for (pw_frame *frame = root; frame; frame = pw_step_walk(step, frame, root, due)) {
            int64_t wake = pw_frame_wake(frame);
            if (wake != PW_WAKE_NEVER && wake <= step->event->now_ms &&
                (!first || wake < pw_frame_wake(first)))
                first = frame;
        }
        if (!first)
            return;
        fire(step, first);
    }
}
