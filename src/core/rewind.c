/* rewind.c - an instance goes on from a state that it had, or another begins there.
 *
 * What is open now is let go of, as by a cancel; then the scopes of the state of then take its place. Whatever waited
 * there begins anew: what it had asked for is long answered, or given up. Every scope has a new visit and a new path, so
 * all that is done from here on is done anew, with keys that nobody has seen, and answers to what was asked before find
 * nobody. What must not be told twice goes on counting: visits, what was registered for a compensation, incidents.
 * Instants of scopes that are open - the timeout of a workflow, the limit of a try - are as far away as they were.
 *
 * Nothing outside is undone, and what is in the log stays: a rewind is a step like any other. It keeps the state that it
 * went back to (cause.c), so that the log can be replayed without going back itself. */
#include "core/step.h"

static int64_t shifted(int64_t at, int64_t by)
{
    int64_t sum;
    if (at == PW_WAKE_NEVER || __builtin_add_overflow(at, by, &sum))
        return at;
    return sum < 0 ? 0 : sum;
}

/* ------------------------------------------------------------------ whether it may be done */

typedef struct search {
    const pw_frame *doubt; /* it may have had its effect, and nobody knows */
    const pw_frame *ready; /* of the visit that is wanted */
    uint64_t visit;
} search;

static void look(void *context, const pw_frame *frame)
{
    search *s = context;
    bool in_flight = frame->phase == PHASE_CALL || frame->phase == PHASE_WORK;
    if (!s->doubt && frame->task && (in_flight || pw_frame_in_doubt(frame)))
        s->doubt = frame;
    if (s->visit && frame->visit == s->visit && frame->phase == PHASE_READY)
        s->ready = frame;
}

static pw_verdict no_way(pw_step *step, const char *why)
{
    return pw_refused(step, PAWL_STATE, PAWL_REASON_NONE, "it cannot go back there: %s", why);
}

/* That there is something to go on with. */
static pw_verdict may_go_back(pw_step *step, const pw_state *to)
{
    if (to->root->schedule)
        return no_way(step, "a schedule keeps to its times");
    if (pw_is_pending(to))
        return no_way(step, "the instance had not begun yet; give a later step");
    if (to->status == PW_COMPENSATING || to->compensating)
        return no_way(step, "it was being compensated; give an earlier step");
    if (pw_status_ended(to->status) && !to->incident)
        return no_way(step, "the instance had ended; give an earlier step");
    if (!pw_is(to->root->error, PW_NONE) || !to->root->child)
        return no_way(step, "the workflow itself had failed, outside of its tasks; give an earlier step");
    return pw_done();
}

/* An input for the task that is about to begin. */
static pw_verdict input_fits(pw_step *step, const pw_state *to)
{
    const pw_event *event = step->event;
    search s = { .visit = event->visit };
    if (pw_is(event->payload, PW_NONE))
        return pw_done();
    pw_frames_each(to->root, look, &s);
    if (!s.ready)
        return pw_refused(step, PAWL_INVALID, PAWL_REASON_NONE, "no task of the visit %llu is about to begin there",
                          (unsigned long long)event->visit);
    return pw_mend_input_fits(step, s.ready->task, event->payload);
}

static pw_verdict may_leave(pw_step *step)
{
    pw_state *state = step->state;
    search s = { 0 };
    if (state->compensating || state->status == PW_COMPENSATING)
        return pw_refused(step, PAWL_STATE, PAWL_REASON_NONE,
                          "the instance is being compensated; it can go back when that has ended");
    if (!pw_is_over(state))
        pw_frames_each(state->root, look, &s);
    return pw_incident_confirmed(step, s.doubt, "to go back leaves that open, and may ask for it again");
}

/* ------------------------------------------------------------------ the scopes of then */

static pawl_code get_saved(void *context, pw_str instance, pw_str digest, pw_str *out, pw_arena *arena, pawl_error *err)
{
    const pw_state_text *saved = context;
    (void)instance;
    (void)arena;
    for (size_t i = 0; i < saved->payload_count; i++)
        if (pw_str_eq(saved->payloads[i].digest, digest)) {
            *out = saved->payloads[i].text;
            return PAWL_OK;
        }
    return pw_fail(err, PAWL_NOT_FOUND, "no such payload");
}

/* By way of its text, which is kept: so a replay, which has nothing else, gives the same to the last byte. */
static pw_state *copy_of(pw_step *step, const pw_state *from)
{
    pw_state *copy = NULL;
    pw_state_text *saved = PW_NEW(step->arena, pw_state_text);
    const pw_payload_source source = { .get = get_saved, .context = saved, .instance = step->identity->instance };
    jmp_buf *guard = pw_arena_guard(step->arena, NULL); /* a jump would lose what it has on the heap */
    pawl_code code = pw_state_save(saved, from, step->arena, step->err);
    if (code == PAWL_OK)
        code = pw_state_parse_branches(&copy, saved->text, saved->branches, step->program, &source, step->arena, step->err);
    (void)pw_arena_guard(step->arena, guard);
    if (code != PAWL_OK)
        pw_step_abort(step, code, code == PAWL_INVALID  ? PW_WHOLE_MESSAGE
                                  : code == PAWL_CORRUPT ? "the state that it is to go back to cannot be read"
                                                         : "out of memory");
    step->rewound = saved;
    return copy;
}

static bool is_scope(const pw_frame *frame)
{
    bool undoing = frame->task && frame->task->kind == PW_TASK_COMPENSATE; /* reads its plan anew */
    return !undoing && (frame->phase == PHASE_BODY || frame->phase == PHASE_HANDLER);
}

static void begin_anew(pw_frame *frame)
{
    frame->raw = pw_frame_raw(frame);
    frame->phase = PHASE_READY;
    frame->child = frame->last = NULL;
    frame->input = frame->items = frame->error = frame->args = frame->context = (pw_value){ 0 };
    frame->key = (pw_str){ 0 };
    frame->doubt = false;
    frame->class_ = 0;
    frame->limit_ms = 0;
    frame->ordinal = frame->attempt = frame->at = 0;
    frame->timeout_ms = frame->due_ms = PW_WAKE_NEVER;
}

/* The rows of all its branches are written: they are those of another fork now. */
static void take_branches(pw_step *step, pw_frame *fork)
{
    for (uint32_t i = 0; i < fork->task->as.fork.branches.count; i++) {
        const pw_slot *slot = pw_branches_slot(fork, i);
        if (slot && slot->kind != SLOT_OPEN)
            pw_branches_ended(step, fork, i, slot->kind == SLOT_DONE ? slot->output : (pw_value){ 0 });
    }
    pw_branches_wake(step, fork, &(pw_search){ .kind = SEARCH_ALL });
}

/* Nobody is asked any more about an incident that is no longer open. */
static void drop_remedies(pw_step *step, pw_frame *root)
{
    for (pw_frame *frame = root->child, *next = NULL; frame; frame = next) {
        next = frame->next;
        if (pw_remedy_is(frame))
            pw_flow_detach(step, frame);
    }
}

static void renew(pw_step *step, pw_frame *root)
{
    const pw_event *event = step->event;
    int64_t by = event->now_ms - event->rewound_ms;
    uint64_t salt = step->identity->sequence;
    for (pw_frame *frame = root; frame; frame = pw_frame_walk(frame, root)) {
        bool wanted = frame->task && event->visit && frame->visit == event->visit && frame->phase == PHASE_READY;
        frame->path = pw_hash64(frame->path, &salt, sizeof salt);
        frame->visit = frame->task ? ++step->state->visits : 0;
        frame->timeout_ms = shifted(frame->timeout_ms, by);
        frame->due_ms = shifted(frame->due_ms, by);
        frame->first_ms = frame->first_ms ? shifted(frame->first_ms, by) : 0;
        if (frame->task && frame->task->kind == PW_TASK_LISTEN)
            frame->key = (pw_str){ 0 }; /* it listens again when its foreach is through */
        if (frame->branches)
            take_branches(step, frame);
        if (frame->task && !is_scope(frame))
            begin_anew(frame);
        if (wanted && !pw_is(event->payload, PW_NONE))
            frame->raw = pw_copy(step->arena, event->payload);
    }
}

/* Of all that `step->state` is about, its scopes and data become those of then. */
static void go_back(pw_step *step, const pw_state *to)
{
    pw_state *state = step->state, *then = copy_of(step, to);
    state->root = then->root;
    state->input = then->input;
    state->context = then->context;
    state->known = NULL; /* what is large is put out once more: it may be another instance's log that it comes from */
    if (state->visits < then->visits)
        state->visits = then->visits;
    drop_remedies(step, state->root);
    renew(step, state->root);
    state->status = PW_RUNNING;
}

/* ------------------------------------------------------------------ both */

static void record(pw_step *step, const pw_state *to)
{
    const pw_event *event = step->event;
    bool told = to->parent.len > 0 && !step->state->parent.len;
    const pw_member more[] = {
        { PW_LIT("step"), pw_int((int64_t)event->to_step) },
        { PW_LIT("before"), event->visit ? pw_int((int64_t)event->visit) : (pw_value){ 0 } },
        { PW_LIT("input"), pw_copy(step->arena, event->payload) },
        { PW_LIT("confirmed"), event->confirmed ? pw_bool(true) : (pw_value){ 0 } },
        { PW_LIT("parentTold"), told ? pw_bool(true) : (pw_value){ 0 } }, /* of its end; it does not hear of another */
    };
    pw_record_command_with(step, "instance.rewound", NULL, more, PW_LENGTH(more));
}

pw_verdict pw_rewind(pw_step *step)
{
    pw_state *state = step->state;
    const pw_state *to = step->event->rewound;
    pw_verdict v = may_go_back(step, to);
    if (v.code == PAWL_OK)
        v = input_fits(step, to);
    if (v.code == PAWL_OK)
        v = may_leave(step);
    if (v.code != PAWL_OK)
        return v;
    bool asleep = pw_is_asleep(state);
    record(step, to);
    if (asleep)
        pw_incident_resumed(step);
    while (state->root->child)
        pw_flow_close(step, state->root->child, "the instance goes back to an earlier step");
    pw_incident_over(step, "rewound");
    go_back(step, to);
    pw_step_wake(step);
    return pw_done();
}

pw_verdict pw_rewind_start(pw_step *step)
{
    pw_state *state = step->state;
    const pw_state *to = step->event->rewound;
    pw_verdict v = may_go_back(step, to);
    if (v.code == PAWL_OK)
        v = input_fits(step, to);
    if (v.code != PAWL_OK)
        return v;
    go_back(step, to);
    state->root->started_ms = state->started_ms;
    step->took = pw_copy(step->arena, step->event->payload);
    PW_RECORD(step, "instance.started", NULL, { PW_LIT("input"), state->input },
              { PW_LIT("from"), pw_string(step->arena, step->event->key) },
              { PW_LIT("step"), pw_int((int64_t)step->event->to_step) },
              { PW_LIT("before"), step->event->visit ? pw_int((int64_t)step->event->visit) : (pw_value){ 0 } },
              { PW_LIT("taskInput"), step->took });
    pw_record_lifecycle(step, PW_LIFE_STARTED, (pw_value){ 0 });
    pw_step_wake(step);
    return pw_done();
}
