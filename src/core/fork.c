/* fork.c - branches side by side: who joins, who wins, and whose exports count.
 *
 * A plain fork waits for all its branches and gives their outputs in the order of declaration. In
 * one that competes the first branch that ends well wins (dsl A-15): its output is the fork's, the
 * others are cancelled. A branch that fails or is skipped is out of the race; if no branch is left,
 * the last error goes on outward, and without any error (all were skipped) the fork's input is its
 * output.
 *
 * A competing branch exports into a context of its own, which begins as a copy of the one around
 * it; that of the winner replaces the one around it, the others are gone (dsl A-16). Until a branch
 * has exported it has none, and sees the one around it. */
#include "core/step.h"

static bool races(const pw_frame *fork)
{
    return fork && fork->task && fork->task->kind == PW_TASK_FORK && fork->task->as.fork.compete;
}

/* ------------------------------------------------------------------ context */

pw_value pw_fork_context(const pw_step *step, const pw_frame *frame)
{
    for (; frame; frame = frame->parent)
        if (!pw_is(frame->context, PW_NONE))
            return frame->context;
    return step->state->context;
}

void pw_fork_export(pw_step *step, pw_frame *frame, pw_value context)
{
    while (frame && !races(frame->parent))
        frame = frame->parent;
    *(frame ? &frame->context : &step->state->context) = context;
}

/* ------------------------------------------------------------------ branches */

void pw_fork_begin(pw_step *step, pw_frame *frame)
{
    const pw_list *branches = &frame->task->as.fork.branches;
    frame->at = branches->count;
    if (pw_fork_is_wide(frame->task)) {
        pw_branches_begin(step, frame);
    } else {
        pw_value *outputs = PW_NEW_ARRAY(step->arena, pw_value, branches->count + 1);
        for (uint32_t i = 0; i < branches->count; i++)
            outputs[i] = pw_null();
        frame->items = pw_array_ref(outputs, branches->count);
    }
    PW_RECORD(step, "task.started", frame, { PW_LIT("branches"), pw_int(branches->count) });
    if (branches->count == 0)
        pw_flow_finish(step, frame, frame->items);
    for (uint32_t i = 0; i < branches->count; i++)
        pw_flow_spawn(step, frame, branches->tasks[i], frame->input);
}

void pw_fork_branch_ends(pw_step *step, pw_frame *branch)
{
    if (races(branch->parent) && !pw_is(branch->context, PW_NONE))
        pw_fork_export(step, branch->parent, branch->context);
}

void pw_fork_branch_done(pw_step *step, pw_frame *fork, uint32_t branch, pw_value output)
{
    if (races(fork)) {
        if (fork->branches)
            pw_branches_wake(step, fork, &(pw_search){ .kind = SEARCH_ALL });
        while (fork->child)
            pw_flow_close(step, fork->child, "another branch won");
        pw_flow_finish(step, fork, output);
        return;
    }
    if (fork->branches) {
        pw_branches_ended(step, fork, branch, output);
    } else {
        pw_value *items = PW_NEW_ARRAY(step->arena, pw_value, fork->items.count);
        memcpy(items, fork->items.as.items, fork->items.count * sizeof *items);
        items[branch] = output;
        fork->items = pw_array_ref(items, fork->items.count);
    }
    if (--fork->at == 0)
        pw_flow_finish(step, fork, fork->branches ? pw_branches_outputs(step, fork) : fork->items);
}

bool pw_fork_branch_skipped(pw_step *step, pw_frame *fork)
{
    if (!races(fork))
        return false;
    if (fork->at > 1)
        fork->at--;
    else if (pw_is(fork->error, PW_NONE))
        pw_flow_finish(step, fork, fork->input);
    else
        pw_flow_raise(step, fork, fork->error);
    return true;
}

bool pw_fork_outlives(const pw_frame *fork)
{
    return races(fork) && fork->at > 1;
}

void pw_fork_branch_failed(pw_frame *fork, pw_value problem)
{
    PW_ASSERT(pw_fork_outlives(fork));
    fork->at--;
    fork->error = problem;
}
