/* step.c - one step: an event comes in, a transition goes out.
 *
 * The state of before is never written: its frames are copied (values are shared), so a commit that
 * fails leaves it as it was. All memory is the arena's; running out of it jumps back to
 * pw_core_step(), which reports it. */
#include <stdio.h>
#include "core/step.h"
#include "base/json.h"

_Noreturn void pw_step_abort(pw_step *step, pawl_code code, const char *what)
{
    step->abort_code = pw_fail(step->err, code, "%s", what);
    longjmp(*step->guard, 1);
}

void *pw_step_push(pw_step *step, pw_list_of *list, size_t item_size)
{
    if (list->count == list->size) {
        size_t size = list->size ? list->size * 2 : 4;
        list->items =
            pw_arena_grow(step->arena, list->items, list->size * item_size, size * item_size);
        list->size = size;
    }
    void *item = (char *)list->items + list->count++ * item_size;
    memset(item, 0, item_size);
    return item;
}

pw_frame *pw_step_find(pw_step *step, uint64_t visit, pw_phase phase)
{
    const pw_search want = { .kind = SEARCH_VISIT, .number = visit };
    pw_frame *root = step->state->root;
    for (pw_frame *frame = root; frame; frame = pw_step_walk(step, frame, root, want))
        if (frame->visit == visit && frame->phase == phase)
            return frame;
    return NULL;
}

/* ------------------------------------------------------------------ events */

static void tell_of_start(pw_step *step)
{
    pw_state *state = step->state;
    state->started_ms = state->root->started_ms = step->event->now_ms;
    PW_RECORD(step, "instance.started", NULL, { PW_LIT("input"), state->input },
              { PW_LIT("parent"), pw_str_value(state->parent) });
    pw_record_lifecycle(step, PW_LIFE_STARTED, (pw_value){ 0 });
}

bool pw_step_start_clock(pw_step *step)
{
    pw_frame *root = step->state->root;
    pw_duration timeout;
    if (!step->program->timeout.given)
        return true;
    if (!pw_eval_delay(step, root, &step->program->timeout, &timeout)) {
        pw_flow_raise_within(step, root, step->thrown);
        return false;
    }
    root->timeout_ms = pw_duration_after(step->event->now_ms, timeout);
    return true;
}

void pw_step_enter(pw_step *step)
{
    pw_state *state = step->state;
    pw_frame *root = state->root;
    if (root->schedule) { /* timeout and input.from are of what it starts */
        pw_flow_start_list(step, root, root->input);
        return;
    }
    if (!pw_step_start_clock(step))
        return;
    if (step->program->input_from &&
        !pw_eval_template(step, root, step->program->input_from, state->input, (pw_value){ 0 },
                          &root->input)) {
        pw_flow_raise_within(step, root, step->thrown);
        return;
    }
    pw_flow_start_list(step, root, root->input);
}

void pw_step_begin(pw_step *step)
{
    tell_of_start(step);
    pw_step_enter(step);
}

static pw_verdict start(pw_step *step)
{
    const pw_event *event = step->event;
    pw_state *state = PW_NEW(step->arena, pw_state);
    pw_frame *root = PW_NEW(step->arena, pw_frame);
    step->state = state;
    state->status = PW_PENDING;
    state->started_ms = event->now_ms;
    state->told_ms = PW_WAKE_NEVER;
    state->input = step->took = pw_copy(step->arena, event->payload);
    state->context = pw_null();
    state->root = root;
    root->phase = PHASE_BODY;
    root->schedule = event->schedule;
    root->started_ms = state->started_ms;
    root->input = state->input;
    root->timeout_ms = root->due_ms = PW_WAKE_NEVER;
    state->depth = event->depth;
    if (event->parent.len) {
        state->parent = pw_arena_str(step->arena, event->parent);
        state->parent_visit = event->parent_visit;
    }
    if (event->rewound)
        return pw_rewind_start(step);
    bool fits = event->schedule || pw_data_fits(step, root, step->program->schemas.input,
                                                state->input, "input");
    if (!fits && !event->unheard)
        return pw_refused(step, PAWL_INVALID, PAWL_REASON_NONE, PW_FMT,
                          PW_ARG(pw_get_text(step->thrown, "detail")));
    if (!fits) {
        tell_of_start(step);
        pw_flow_raise_within(step, root, step->thrown);
        return pw_done();
    }
    if (event->start_at_ms <= event->now_ms) {
        pw_step_begin(step);
        return pw_done();
    }
    root->due_ms = event->start_at_ms;
    PW_RECORD(step, "instance.pending", NULL, { PW_LIT("input"), state->input },
              { PW_LIT("startAt"), pw_moment_value(step->arena, root->due_ms) });
    return pw_done();
}

/* ------------------------------------------------------------------ commands */

pw_verdict pw_refused(pw_step *step, pawl_code code, pawl_reason reason, const char *format, ...)
{
    char text[480];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t n = len < 0 ? 0 : (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    return (pw_verdict){ .code = code,
                         .reason = reason,
                         .message = pw_arena_str(step->arena, (pw_str){ text, n }) };
}

pw_verdict pw_repeated(const char *message)
{
    return (pw_verdict){ .repeated = true, .message = pw_str_of(message) };
}

pw_verdict pw_has_ended(const pw_step *step)
{
    static const char *const messages[PW_STATUS_COUNT] = {
        [PW_COMPLETED] = "the instance has completed",
        [PW_FAULTED] = "the instance has faulted",
        [PW_CANCELLED] = "the instance was cancelled",
        [PW_COMPENSATED] = "the instance was compensated",
    };
    return (pw_verdict){ .code = PAWL_STATE,
                         .reason = PAWL_REASON_ENDED,
                         .message = pw_str_of(messages[step->state->status]) };
}

void pw_record_command_with(pw_step *step, const char *type, const pw_frame *frame,
                            const pw_member *more, size_t count)
{
    enum { OWN = 2, MORE_MAX = 6 };
    PW_ASSERT(count <= MORE_MAX);
    pw_str reason = step->event->reason;
    pw_member members[OWN + MORE_MAX] = {
        { PW_LIT("by"), pw_string_ref(pw_event_actor(step)) },
        { PW_LIT("reason"), reason.len ? pw_string(step->arena, reason) : (pw_value){ 0 } },
    };
    for (size_t i = 0; i < count; i++)
        members[OWN + i] = more[i];
    pw_record(step, type, frame, members, OWN + count);
}

void pw_record_command(pw_step *step, const char *type, const pw_frame *frame)
{
    pw_record_command_with(step, type, frame, NULL, 0);
}

pw_verdict pw_step_cancel(pw_step *step)
{
    pw_state *state = step->state;
    if (state->status == PW_CANCELLED)
        return pw_repeated("it was cancelled before");
    if (state->compensating && !state->incident)
        return pw_refused(step, PAWL_STATE, PAWL_REASON_NONE,
                          "the instance is being compensated, which ends by itself; only at an incident of it the "
                          "rest can be left");
    if (pw_is_over(state) || !pw_status_may_move(state->status, PW_CANCELLED))
        return pw_has_ended(step);
    pw_record_command(step, "instance.cancelled", NULL);
    if (pw_undo_on_cancel(step) && pw_is(step->answer, PW_NONE)) {
        if (pw_str_eq(step->event->parent, state->parent)) { /* it does not want to know any more */
            state->parent = (pw_str){ 0 };
            state->parent_visit = 0;
        }
        pw_undo_begin_whole(step, "cancelled", (pw_value){ 0 });
        return pw_done();
    }
    while (state->root->child)
        pw_flow_close(step, state->root->child, "the instance was cancelled");
    state->root->due_ms = PW_WAKE_NEVER;
    pw_incident_over(step, "cancelled");
    pw_record_lifecycle(step, PW_LIFE_CANCELLED, (pw_value){ 0 });
    pw_flow_end(step, PW_CANCELLED);
    return pw_done();
}

void pw_tasks_follow(pw_step *step, pw_life kind)
{
    pw_frame *root = step->state->root;
    const bool told = step->program->lifecycle.tasks & PW_BIT(kind);
    for (pw_frame *frame = told ? root->child : NULL; frame;
         frame = pw_step_walk(step, frame, root, (pw_search){ .kind = SEARCH_ALL }))
        if (frame->phase != PHASE_READY && frame->phase != PHASE_PLANNED)
            pw_record_task(step, kind, frame, (pw_value){ 0 });
}

static pw_verdict suspend(pw_step *step)
{
    pw_state *state = step->state;
    if (state->status == PW_SUSPENDED)
        return pw_repeated("it was suspended before");
    if (pw_status_ended(state->status))
        return pw_has_ended(step);
    pw_record_command(step, "instance.suspended", NULL);
    pw_record_lifecycle(step, PW_LIFE_SUSPENDED, (pw_value){ 0 });
    pw_tasks_follow(step, PW_LIFE_SUSPENDED);
    state->status = PW_SUSPENDED;
    state->suspended_by = pw_arena_str(step->arena, step->event->actor);
    state->suspended_reason = pw_arena_str(step->arena, step->event->reason);
    return pw_done();
}

/* What an earlier step had no room for goes first. */
static void take_up(pw_step *step)
{
    const pw_search ready = { .kind = SEARCH_READY };
    pw_frame *root = step->state->root;
    for (pw_frame *f = root; f; f = pw_step_walk(step, f, root, ready))
        if (f->phase == PHASE_READY)
            pw_flow_enqueue(step, f);
}

/* A warning, once for each threshold: a higher one is crossed once more. */
static void tell_of_long(pw_step *step)
{
    int64_t at = pw_state_long_running(step->state, step->settings);
    if (step->ended || at == PW_WAKE_NEVER || at > step->event->now_ms)
        return;
    const pw_member about[] = {
        { PW_LIT("startedAt"), pw_moment_value(step->arena, step->state->started_ms) },
        { PW_LIT("thresholdMs"), pw_int((int64_t)step->settings->long_running_ms) },
    };
    step->state->told_ms = at;
    pw_record(step, "instance.long-running", NULL, about, PW_LENGTH(about));
    pw_record_notice(step, step->state->root, "io.pawl.instance.longrunning.v1", about,
                     PW_LENGTH(about));
}

static void time_passes(pw_step *step)
{
    pw_flow_due(step);
    tell_of_long(step);
}

/* What was kept is dealt with in order; one may close others. */
static void take_out(pw_step *step)
{
    pw_frame *root = step->state->root;
    pw_list_of kept = { 0 };
    for (pw_frame *f = root; f; f = pw_step_walk(step, f, root, (pw_search){ .kind = SEARCH_HELD }))
        if (f->phase == PHASE_PARKED)
            *(pw_frame **)pw_step_push(step, &kept, sizeof f) = f;
    for (size_t i = 0; i < kept.count && !step->ended; i++) {
        pw_frame *frame = ((pw_frame **)kept.items)[i];
        if (!frame->gone)
            pw_call_settle(step, frame, frame->args, frame->error);
    }
}

void pw_step_rouse(pw_step *step)
{
    pw_state *state = step->state;
    state->status = PW_RUNNING;
    state->suspended_by = state->suspended_reason = (pw_str){ 0 };
    take_up(step);
}

void pw_step_go_on(pw_step *step)
{
    take_out(step);
    if (!step->ended)
        pw_undo_wake(step);
    if (!step->ended)
        time_passes(step);
}

void pw_step_wake(pw_step *step)
{
    pw_step_rouse(step);
    pw_step_go_on(step);
}

static pw_verdict go_on(pw_step *step)
{
    pw_state *state = step->state;
    if (pw_status_ended(state->status))
        return pw_has_ended(step);
    if (state->status != PW_SUSPENDED)
        return pw_repeated("it is not suspended");
    pw_verdict may = pw_incident_may_begin(step);
    if (may.code != PAWL_OK)
        return may;
    pw_record_command(step, "instance.resumed", NULL);
    pw_record_lifecycle(step, PW_LIFE_RESUMED, (pw_value){ 0 });
    pw_tasks_follow(step, PW_LIFE_RESUMED);
    if (state->incident)
        pw_incident_mend(step, "continued");
    else
        pw_step_wake(step);
    return pw_done();
}

/* ------------------------------------------------------------------ results */

static void call_event(pw_step *step)
{
    pw_frame *frame = pw_step_find(step, step->event->visit, PHASE_CALL);
    bool wanted =
        frame && frame->attempt == step->event->attempt && !pw_is_over(step->state);
    bool lost = step->event->kind == PW_EVENT_CALL_LOST;
    if (wanted && lost)
        pw_call_http_lost(step, frame);
    else if (wanted)
        pw_call_http_result(step, frame, &step->event->call);
    else if (!lost)
        pw_call_http_late(step, step->event);
}

static void activity_event(pw_step *step)
{
    const pw_event *event = step->event;
    pw_frame *frame = pw_step_find(step, event->visit, PHASE_WORK);
    bool wanted =
        frame && frame->attempt == event->attempt && !pw_is_over(step->state);
    bool lost = event->kind == PW_EVENT_ACTIVITY_LOST;
    if (wanted && event->key.len)
        PW_RECORD(step, "job.answered", frame, { PW_LIT("attempt"), pw_int(event->attempt) },
                  { PW_LIT("digest"), pw_string(step->arena, event->key) });
    if (wanted && lost)
        pw_call_activity_lost(step, frame);
    else if (wanted && pw_is(event->error, PW_NONE))
        pw_call_activity_result(step, frame, event->payload);
    else if (wanted)
        pw_call_activity_failed(step, frame, event->error);
    else if (!lost)
        PW_RECORD(step, "activity.late", NULL, { PW_LIT("visit"), pw_int((int64_t)event->visit) },
                  { PW_LIT("attempt"), pw_int(event->attempt) });
}

static void child_ended(pw_step *step)
{
    const pw_event *event = step->event;
    pw_frame *frame = pw_step_find(step, event->visit, PHASE_CHILD);
    pw_frame *schedule = step->state->root->child;
    if (!pw_is_over(step->state) && pw_schedule_waits_for(schedule, event->key)) {
        pw_schedule_child_ended(step, schedule, event->error);
        return;
    }
    bool wanted =
        frame && pw_str_eq(frame->key, event->key) && !pw_is_over(step->state);
    if (wanted)
        pw_child_ended(step, frame, event->payload, event->error);
    else
        pw_child_late(step, event);
}

static pw_verdict message(pw_step *step)
{
    const pw_event *event = step->event;
    pw_state *state = step->state;
    const pw_search want = { .kind = SEARCH_VISIT, .number = event->visit };
    pw_frame *frame = state->root;
    while (frame && !(frame->visit == event->visit && pw_listen_is_open(frame)))
        frame = pw_step_walk(step, frame, state->root, want);
    pawl_code code = PAWL_NOT_FOUND;
    if (frame && !pw_is_over(state)) {
        if (pw_is_asleep(state))
            return pw_refused(step, PAWL_BUSY, PAWL_REASON_NONE,
                              state->incident ? "an incident of the instance is open"
                                              : "the instance is suspended");
        if (pw_schedule_is_deaf(frame))
            return pw_refused(step, PAWL_BUSY, PAWL_REASON_NONE,
                              "what was started before still runs");
        code = pw_listen_message(step, frame, event->number, event->payload);
    }
    if (code == PAWL_OK)
        return pw_done();
    return pw_refused(step, code, PAWL_REASON_NONE, "%s",
                      code == PAWL_BUSY ? "the task is at work on a message that came before"
                                        : "nothing listens for it");
}

pw_verdict pw_step_take(pw_step *step)
{
    const pw_verdict done = pw_done();
    if (step->event->kind == PW_EVENT_START)
        return start(step);
    if (!pw_is_asleep(step->state))
        take_up(step);
    switch (step->event->kind) {
    case PW_EVENT_START:
    case PW_EVENT_DRIVE:
        return done;
    case PW_EVENT_TIMER:
        if (!pw_is_asleep(step->state))
            time_passes(step);
        return done;
    case PW_EVENT_CALL_RESULT:
    case PW_EVENT_CALL_LOST:
        call_event(step);
        return done;
    case PW_EVENT_ACTIVITY_RESULT:
    case PW_EVENT_ACTIVITY_LOST:
        activity_event(step);
        return done;
    case PW_EVENT_MESSAGE:
        return message(step);
    case PW_EVENT_CHILD_ENDED:
        child_ended(step);
        return done;
    case PW_EVENT_RESUME:
        return pw_resume(step);
    case PW_EVENT_CANCEL:
        return pw_step_cancel(step);
    case PW_EVENT_SUSPEND:
        return suspend(step);
    case PW_EVENT_CONTINUE:
        return go_on(step);
    case PW_EVENT_CLAIM:
    case PW_EVENT_RELEASE:
    case PW_EVENT_DELEGATE:
    case PW_EVENT_COMMENT:
        return pw_bookmark_command(step);
    case PW_EVENT_RETRY:
        return pw_incident_retry(step);
    case PW_EVENT_FAIL:
        return pw_incident_fail(step);
    case PW_EVENT_SKIP:
        return pw_mend_skip(step);
    case PW_EVENT_GOTO:
        return pw_mend_goto(step);
    case PW_EVENT_EDIT:
        return pw_mend_edit(step);
    case PW_EVENT_REWIND:
        return pw_rewind(step);
    case PW_EVENT_COMPENSATE:
        return pw_undo_command(step);
    case PW_EVENT_PLAN:
        return pw_undo_plan(step);
    }
    return done;
}

/* ------------------------------------------------------------------ the transition */

static pw_str text_of(pw_step *step, pw_value v)
{
    if (pw_is(v, PW_NONE))
        return (pw_str){ 0 };
    pw_str text = pw_json_text(step->arena, v, PW_JSON_COMPACT);
    if (!text.ptr)
        pw_step_abort(step, PAWL_NO_MEMORY, "out of memory");
    return text;
}

/* The log's part: entries, and what of the event they do not tell. */
static void write_log(pw_step *step, pw_transition *out, pw_value entries, pw_value cause, pw_putting *put)
{
    enum { ENTRY_MEMBERS = 2, CAUSE_MEMBERS = 1 }; /* what is around them stays where it is */
    pw_buf buf;
    pw_buf_init(&buf, 0);
    jmp_buf *guard = pw_arena_guard(step->arena, NULL); /* a jump would lose the buffer */
    put->depth = ENTRY_MEMBERS;
    pw_payload_write(&buf, entries, put);
    if (!buf.failed)
        out->entries = pw_arena_str(step->arena, pw_buf_view(&buf));
    bool differs = put->differs;
    if (!buf.failed && !pw_is(cause, PW_NONE)) {
        pw_buf_reset(&buf);
        put->depth = CAUSE_MEMBERS;
        pw_payload_write(&buf, cause, put);
        if (!buf.failed)
            out->cause = pw_arena_str(step->arena, pw_buf_view(&buf));
    }
    bool failed = buf.failed;
    (void)pw_arena_guard(step->arena, guard);
    pw_buf_done(&buf);
    if (put->whole > PW_PAYLOAD_WHOLE_MAX)
        pw_step_abort(step, PAWL_INVALID, PW_WHOLE_MESSAGE);
    if (failed)
        pw_step_abort(step, PAWL_NO_MEMORY, "out of memory");
    if (differs)
        out->whole_entries = entries;
}

/* State and log as text, and the large values of both. What the log alone has is not remembered: it
 * may be the event's, which ends with this step. */
/* Those of a state that the cause has. */
static void add_payloads(pw_step *step, pw_transition *out)
{
    const size_t count = out->payload_count, more = step->rewound->payload_count;
    pw_payload *all = PW_NEW_ARRAY(step->arena, pw_payload, count + more);
    if (count)
        memcpy(all, out->payloads, count * sizeof *all);
    if (more)
        memcpy(all + count, step->rewound->payloads, more * sizeof *all);
    out->payloads = all;
    out->payload_count = count + more;
}

static void write_down(pw_step *step, pw_transition *out)
{
    pw_state *state = step->state;
    pw_payload_list list = { 0 };
    pw_putting put = { .arena = step->arena, .known = state->known, .list = &list };
    pw_branches_settle(step, state->root);
    pw_branches_seal(step, state->root, &put);
    out->state_text = pw_state_write(state, &put);
    put.whole += pw_frames_rest(state->root).whole;
    pw_value entries = pw_array_end(&step->entries);
    jmp_buf *guard = pw_arena_guard(step->arena, NULL);
    state->known = pw_putting_end(&put);
    (void)pw_arena_guard(step->arena, guard);
    pw_putting log = { .arena = step->arena, .known = state->known, .list = &list };
    write_log(step, out, entries, pw_cause_of(step, entries), &log);
    if (put.whole > PW_PAYLOAD_WHOLE_MAX)
        pw_step_abort(step, PAWL_INVALID, PW_WHOLE_MESSAGE);
    if (!out->state_text.ptr || !out->entries.ptr || step->arena->failed)
        pw_step_abort(step, PAWL_NO_MEMORY, "out of memory");
    out->payloads = list.items;
    out->payload_count = list.count;
    if (step->rewound)
        add_payloads(step, out);
    out->fork_ends = step->fork_ends.items;
    out->fork_end_count = step->fork_ends.count;
    out->branches = step->branch_rows.items;
    out->branch_count = step->branch_rows.count;
}

static void conclude(pw_step *step, pw_transition *out, const pw_verdict *v, pw_status before)
{
    pw_state *state = step->state;
    *out = (pw_transition){ .code = v->code,
                            .reason = v->reason,
                            .repeated = v->repeated,
                            .message = v->message };
    pw_record_literals(step);
    out->changed = v->act && (step->entries.count > 0 || step->bookmark_ends.count > 0);
    if (!out->changed)
        return;
    if (!pw_is_asleep(state))
        state->status = pw_is_pending(state)  ? PW_PENDING
                        : state->compensating ? PW_COMPENSATING
                        : step->cut           ? PW_RUNNING
                                              : PW_WAITING;
    PW_ASSERT(before == state->status || pw_status_may_move(before, state->status));
    out->status = state->status;
    out->state = state;
    write_down(step, out);
    out->wake_at = pw_state_wake(state, step->settings);
    out->timer_at = pw_state_timer(state, step->settings);
    out->cut = step->cut && !pw_is_asleep(state);
    out->output = text_of(step, step->output);
    if (state->status == PW_FAULTED || state->status == PW_COMPENSATED)
        out->error = text_of(step, step->error);
    out->bookmarks = step->bookmarks.items;
    out->bookmark_count = step->bookmarks.count;
    out->bookmark_ends = step->bookmark_ends.items;
    out->bookmark_end_count = step->bookmark_ends.count;
    out->bookmark_changes = step->bookmark_changes.items;
    out->bookmark_change_count = step->bookmark_changes.count;
    out->events = step->events.items;
    out->event_count = step->events.count;
    out->calls = step->calls.items;
    out->call_count = step->calls.count;
    out->outcomes = step->outcomes.items;
    out->outcome_count = step->outcomes.count;
    out->work = step->work.items;
    out->work_count = step->work.count;
    out->messages = step->messages.items;
    out->message_count = step->messages.count;
    out->subscriptions = step->subscriptions.items;
    out->subscription_count = step->subscriptions.count;
    out->subscription_ends = step->subscription_ends.items;
    out->subscription_end_count = step->subscription_ends.count;
    out->taken = step->taken.items;
    out->taken_count = step->taken.count;
    out->fault = step->fault;
    out->retried = step->retried;
    out->resolution = step->resolution;
    out->undo = step->undo.items;
    out->undo_count = step->undo.count;
    out->undo_changes = step->undo_changes.items;
    out->undo_change_count = step->undo_changes.count;
}

static void decide(pw_step *step, pw_transition *out, const pw_state *before)
{
    pw_status status = before ? before->status : PW_PENDING;
    if (before) {
        step->state = pw_state_clone(before, step->arena);
        step->visits_before = before->visits;
    }
    pw_verdict v = pw_step_take(step);
    if (v.act && !step->ended && !pw_is_asleep(step->state))
        pw_flow_run(step);
    conclude(step, out, &v, status);
}

pawl_code pw_core_step(pw_transition *out, const pw_program *program, const pw_state *state,
                       const pw_identity *identity, const pw_event *event,
                       const pw_core_settings *settings, pw_expr_machine *machine, pw_arena *arena,
                       pawl_error *err)
{
    return pw_step_decide(out, program, state, identity, event, settings, NULL, machine, arena, err);
}

pawl_code pw_step_decide(pw_transition *out, const pw_program *program, const pw_state *state,
                         const pw_identity *identity, const pw_event *event,
                         const pw_core_settings *settings, pw_again *again, pw_expr_machine *machine,
                         pw_arena *arena, pawl_error *err)
{
    PW_ASSERT((state == NULL) == (event->kind == PW_EVENT_START));
    jmp_buf guard;
    pw_step step = {
        .program = program,
        .identity = identity,
        .event = event,
        .settings = settings,
        .machine = machine,
        .arena = arena,
        .seed = event->seed,
        .again = again,
        .budget = settings->tasks_per_step ? settings->tasks_per_step : PW_TASKS_PER_STEP,
        .entries = { .arena = arena },
        .guard = &guard,
        .err = err,
    };
    jmp_buf *outer = pw_arena_guard(arena, &guard);
    pawl_code code = PAWL_OK;
    if (setjmp(guard) == 0)
        decide(&step, out, state);
    else /* an arena that is full jumps here too, without a code */
        code = step.abort_code != PAWL_OK ? step.abort_code : pw_no_memory(err);
    pw_arena_guard(arena, outer);
    return code;
}
