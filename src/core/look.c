/* look.c - what is asked of a state: where it stands, when it is to be woken, what it wants done, and
 * what it waits for. Nothing here changes it. */
#include "core/step.h"
#include "base/json.h"

pw_status pw_state_status(const pw_state *state)
{
    return state->status;
}

pw_value pw_state_input(const pw_state *state)
{
    return state->input;
}

int64_t pw_state_long_running(const pw_state *state, const pw_core_settings *settings)
{
    uint64_t after = settings->long_running_ms;
    if (!after || pw_is_asleep(state) || pw_is_pending(state) || state->root->schedule || state->compensating ||
        after >= (uint64_t)(INT64_MAX - state->started_ms))
        return PW_WAKE_NEVER;
    int64_t at = state->started_ms + (int64_t)after;
    return state->told_ms >= at ? PW_WAKE_NEVER : at;
}

bool pw_state_is_schedule(const pw_state *state)
{
    return state->root->schedule;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a == PW_WAKE_NEVER || (b != PW_WAKE_NEVER && b < a) ? b : a;
}

int64_t pw_state_timer(const pw_state *state, const pw_core_settings *settings)
{
    if (pw_is_asleep(state))
        return PW_WAKE_NEVER;
    return earlier(pw_frames_rest(state->root).wake_ms, pw_state_long_running(state, settings));
}

int64_t pw_state_wake(const pw_state *state, const pw_core_settings *settings)
{
    if (pw_is_asleep(state))
        return PW_WAKE_NEVER;
    pw_rest rest = pw_frames_rest(state->root);
    return rest.ready || rest.active || rest.plans ? 0
                                     : earlier(rest.wake_ms, pw_state_long_running(state, settings));
}

bool pw_state_moves(const pw_state *state)
{
    return !pw_is_asleep(state) && pw_frames_rest(state->root).moves > 0;
}

bool pw_state_hears(const pw_state *state)
{
    return !pw_is_asleep(state) && pw_frames_rest(state->root).hears > 0;
}

bool pw_state_cut(const pw_state *state)
{
    return !pw_is_asleep(state) && pw_frames_rest(state->root).ready > 0;
}

bool pw_state_wants(const pw_state *state, uint64_t visit, uint32_t attempt)
{
    const pw_frame *frame =
        pw_is_over(state) ? NULL : pw_frames_active(state->root, visit);
    return frame && frame->attempt == attempt;
}

bool pw_state_resends(const pw_state *state, const pw_core_settings *settings, uint64_t visit)
{
    const pw_frame *frame = pw_is_over(state) ? NULL : pw_frames_active(state->root, visit);
    return frame && frame->phase == PHASE_CALL &&
           pw_call_on_unknown(frame, settings) == PW_ON_UNKNOWN_RESEND;
}

bool pw_state_resilience(pw_resilience *out, const pw_state *state, uint64_t visit)
{
    const pw_frame *frame = pw_is_over(state) ? NULL : pw_frames_active(state->root, visit);
    if (!frame || (!frame->task->resilience && !frame->around))
        return false;
    *out = pw_call_resilience(frame);
    return true;
}

bool pw_state_tells_parent(const pw_state *state)
{
    return state->parent.len > 0;
}

bool pw_state_has_incident(const pw_state *state)
{
    return state->incident;
}

/* ------------------------------------------------------------------ work */

typedef struct work_list {
    pw_work *items; /* NULL: they are counted only */
    size_t count;
    pw_arena *arena;
} work_list;

static void add_work(void *context, const pw_frame *frame)
{
    work_list *list = context;
    if (frame->phase != PHASE_WORK)
        return;
    if (list->items)
        list->items[list->count] = pw_call_work_of(frame, list->arena);
    list->count++;
}

bool pw_state_work_of(pw_work *out, const pw_state *state, const pw_program *program, uint64_t visit,
                      pw_arena *arena)
{
    (void)program;
    const pw_frame *frame =
        pw_is_over(state) ? NULL : pw_frames_active(state->root, visit);
    if (!frame || frame->phase != PHASE_WORK)
        return false;
    *out = pw_call_work_of(frame, arena);
    return !arena->failed;
}

pawl_code pw_state_work(pw_work **out, size_t *count, const pw_state *state,
                        const pw_program *program, const pw_identity *identity,
                        const pw_core_settings *settings, pw_arena *arena, pawl_error *err)
{
    (void)program;
    (void)identity;
    (void)settings;
    bool ended = pw_is_over(state);
    work_list list = { .arena = arena };
    if (!ended)
        pw_frames_each(state->root, add_work, &list);
    list.items = PW_NEW_ARRAY(arena, pw_work, list.count + 1);
    if (!list.items)
        return pw_no_memory(err);
    list.count = 0;
    if (!ended)
        pw_frames_each(state->root, add_work, &list);
    if (arena->failed)
        return pw_no_memory(err);
    *out = list.items;
    *count = list.count;
    return PAWL_OK;
}

/* ------------------------------------------------------------------ waits */

static const char *wait_kind(const pw_frame *frame)
{
    switch (frame->phase) {
    case PHASE_CALL:
        return "call";
    case PHASE_WORK:
        return "activity";
    case PHASE_USER:
        return "user-action";
    case PHASE_TIMER:
        return "timer";
    case PHASE_RETRY: /* a call or an activity has its name, and says when its next attempt is due */
        return frame->task->kind == PW_TASK_HTTP       ? "call"
               : frame->task->kind == PW_TASK_ACTIVITY ? "activity"
                                                       : "retry";
    case PHASE_PARKED:
        return "continue";
    case PHASE_READY:
        return "ready";
    case PHASE_FAULTED:
        return "incident";
    case PHASE_LISTEN:
        return "external-message";
    case PHASE_CHILD:
        return "child";
    case PHASE_BODY:
    case PHASE_HANDLER:
    case PHASE_PLANNED:
        return NULL;
    }
    return NULL;
}

static pw_value workflow_of(const pw_frame *frame, pw_arena *arena)
{
    if (frame->phase != PHASE_CHILD || frame->task->kind != PW_TASK_RUN)
        return (pw_value){ 0 };
    return pw_text_value(arena, PW_FMT "/" PW_FMT, PW_ARG(frame->task->as.run.namespace_),
                         PW_ARG(frame->task->as.run.name));
}

static pw_value class_value(const pw_frame *frame)
{
    return frame->class_ ? pw_string_ref(pw_str_of(pw_error_class_name((pw_error_class)(frame->class_ - 1))))
                         : (pw_value){ 0 };
}

/* When its time is over: its own, or that of what it is in, whichever is first; and whose it is. An attempt of a try has one, too. */
static int64_t limit_of(const pw_frame *frame, const pw_around *around, const pw_frame **whose)
{
    int64_t at = frame->timeout_ms;
    *whose = frame;
    for (const pw_frame *out = pw_frame_outside(frame, &around); out; out = pw_frame_outside(out, &around)) {
        const int64_t ends = pw_frame_wake(out), first = earlier(at, ends);
        if (first != at)
            *whose = out;
        at = first;
    }
    return at;
}

static pw_value whose_value(const pw_frame *frame, const pw_frame *whose)
{
    if (whose == frame)
        return (pw_value){ 0 };
    return pw_string_ref(whose->task ? whose->task->pointer : PW_LIT("/"));
}

static void add_wait(void *context, const pw_frame *frame, const pw_around *around)
{
    pw_array_builder *waits = context;
    const char *kind = wait_kind(frame);
    if (!kind || !frame->task)
        return;
    const pw_frame *whose;
    const int64_t limit = limit_of(frame, around, &whose);
    bool again = pw_frame_tries_again(frame);
    bool due = frame->phase == PHASE_TIMER || frame->phase == PHASE_RETRY;
    bool keyed = (due && !again && frame->task->kind != PW_TASK_SCHEDULE) ||
                 frame->phase == PHASE_USER || frame->phase == PHASE_LISTEN;
    pw_user_described user = pw_user_describe(frame, waits->arena);
    bool counts = frame->phase == PHASE_CALL || frame->phase == PHASE_WORK || again;
    bool failed = frame->phase == PHASE_RETRY || frame->phase == PHASE_FAULTED;
    bool work = frame->phase == PHASE_WORK || (again && frame->task->kind == PW_TASK_ACTIVITY);
    pw_member members[] = {
        { PW_LIT("kind"), pw_string_ref(pw_str_of(kind)) },
        { PW_LIT("task"), pw_string_ref(frame->task->pointer) },
        { PW_LIT("name"), pw_string_ref(frame->task->name) },
        { PW_LIT("visit"), pw_int((int64_t)frame->visit) },
        { PW_LIT("key"), keyed ? pw_string_ref(frame->key) : (pw_value){ 0 } },
        { PW_LIT("listens"), frame->phase == PHASE_LISTEN
                                 ? pw_listen_described(frame, waits->arena)
                                 : (pw_value){ 0 } },
        { PW_LIT("child"),
          frame->phase == PHASE_CHILD ? pw_string_ref(frame->key) : (pw_value){ 0 } },
        { PW_LIT("workflow"), workflow_of(frame, waits->arena) },
        { PW_LIT("function"), work ? pw_string_ref(frame->task->as.call.name) : (pw_value){ 0 } },
        { PW_LIT("attempt"), counts ? pw_int((int64_t)frame->attempt + again) : (pw_value){ 0 } },
        { PW_LIT("retries"), frame->phase == PHASE_RETRY && !again ? pw_int(frame->attempt)
                                                                   : (pw_value){ 0 } },
        { PW_LIT("assignedTo"), user.assigned_to },
        { PW_LIT("candidates"), user.candidates },
        { PW_LIT("claimedBy"), user.claimed_by },
        { PW_LIT("claimedUntil"), user.claimed_until },
        { PW_LIT("priority"), user.priority },
        { PW_LIT("since"), pw_moment_value(waits->arena, frame->started_ms) },
        { PW_LIT("dueAt"), due ? pw_moment_value(waits->arena, frame->due_ms) : user.due_at },
        { PW_LIT("timeoutAt"), limit != PW_WAKE_NEVER ? pw_moment_value(waits->arena, limit) : (pw_value){ 0 } },
        { PW_LIT("timeoutOf"), whose_value(frame, whose) },
        { PW_LIT("class"), failed ? class_value(frame) : (pw_value){ 0 } },
        { PW_LIT("error"), failed ? frame->error : (pw_value){ 0 } },
        { PW_LIT("schedule"), frame->task->kind == PW_TASK_SCHEDULE
                                  ? pw_schedule_described(frame, waits->arena)
                                  : (pw_value){ 0 } },
    };
    pw_array_add(waits, pw_object_of(waits->arena, members, PW_LENGTH(members)));
}

pw_value pw_state_waits(const pw_state *state, const pw_program *program, pw_arena *arena)
{
    (void)program;
    pw_array_builder waits = { .arena = arena };
    if (pw_is_over(state))
        return pw_array_end(&waits);
    if (!pw_is(state->root->error, PW_NONE)) {
        pw_member members[] = { { PW_LIT("kind"), pw_string_ref(PW_LIT("incident")) },
                                { PW_LIT("task"), pw_string_ref(PW_LIT("/")) },
                                { PW_LIT("error"), state->root->error } };
        pw_array_add(&waits, pw_object_of(arena, members, PW_LENGTH(members)));
    }
    if (state->status == PW_SUSPENDED) {
        pw_str by = state->suspended_by.len ? state->suspended_by : PW_LIT("system");
        pw_str reason = state->suspended_reason;
        pw_member members[] = {
            { PW_LIT("kind"), pw_string_ref(PW_LIT("continue")) },
            { PW_LIT("reason"), pw_text_value(arena, "suspended by " PW_FMT "%s" PW_FMT, PW_ARG(by),
                                              reason.len ? ": " : "", PW_ARG(reason)) },
        };
        pw_array_add(&waits, pw_object_of(arena, members, PW_LENGTH(members)));
    }
    if (pw_is_pending(state)) {
        pw_member members[] = { { PW_LIT("kind"), pw_string_ref(PW_LIT("start")) },
                                { PW_LIT("startAt"), pw_moment_value(arena, state->root->due_ms) } };
        pw_array_add(&waits, pw_object_of(arena, members, PW_LENGTH(members)));
    }
    pw_frames_each_around(state->root, add_wait, &waits);
    return pw_array_end(&waits);
}

/* ------------------------------------------------------------------ one task */

typedef struct input_of {
    uint64_t visit;
    pw_value input;
} input_of;

static void look_for(void *context, const pw_frame *frame)
{
    input_of *wanted = context;
    if (frame->task && frame->visit == wanted->visit)
        wanted->input = pw_frame_raw(frame);
}

pw_value pw_state_input_of(const pw_state *state, uint64_t visit)
{
    input_of wanted = { .visit = visit };
    pw_frames_each(state->root, look_for, &wanted);
    return wanted.input;
}

/* ------------------------------------------------------------------ the whole */

static void look_for_fault(void *context, const pw_frame *frame)
{
    pw_value *input = context;
    if (frame->phase == PHASE_FAULTED && pw_is(*input, PW_NONE) &&
        frame->task->kind != PW_TASK_SCHEDULE)
        *input = pw_frame_raw(frame);
}

pw_value pw_state_data(const pw_state *state, pw_arena *arena)
{
    pw_value input = { 0 };
    if (state->incident)
        pw_frames_each(state->root, look_for_fault, &input);
    const pw_member members[] = { { PW_LIT("context"), state->context },
                                  { PW_LIT("input"), input } };
    return pw_object_of(arena, members, PW_LENGTH(members));
}

pw_value pw_state_view(const pw_state *state, const pw_program *program, pw_arena *arena)
{
    const pw_member members[] = {
        { PW_LIT("status"), pw_string_ref(pw_str_of(pw_status_name(state->status))) },
        { PW_LIT("suspendedBy"), pw_str_value(state->suspended_by) },
        { PW_LIT("suspendedReason"), pw_str_value(state->suspended_reason) },
        { PW_LIT("incident"), pw_bool(state->incident) },
        { PW_LIT("data"), pw_state_data(state, arena) },
        { PW_LIT("waits"), pw_state_waits(state, program, arena) },
    };
    return pw_object_of(arena, members, PW_LENGTH(members));
}
