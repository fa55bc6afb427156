/* replay.c - the state of an instance as it was, out of its log: each step is decided once more.
 *
 * A step is a pure function of the state before it, its event, the time and a seed. The first is that of the step
 * before; the event and the time are told by the row (cause.c); the seed is made of instance and number. So the log
 * alone gives every state that the instance ever had, as long as a step decides now what it decided then, which is
 * looked at: its entries must come out byte for byte.
 *
 * Settings may have changed meanwhile. What they decide - attempts, how long, what becomes of a fault, that somebody
 * is told that it takes long - stands in the entries, and is taken from there; how many tasks a step has begun, if it
 * was cut, and what becomes of a call whose outcome nobody knows, stand in the cause. */
#include <stdlib.h>
#include "core/step.h"

struct pw_replay {
    const pw_program *program;
    pw_identity identity;
    pw_core_settings settings;
    pw_expr_machine *machine;
    pw_payload_source source;
    const pw_state *state;
};

uint64_t pw_step_seed(pw_str instance, uint64_t sequence)
{
    return pw_hash64(sequence, instance.ptr, instance.len);
}

/* ------------------------------------------------------------------ what settings had decided */

static bool is_of(pw_value entry, const char *type)
{
    return pw_str_is(pw_get_text(entry, "type"), type);
}

static int64_t number(pw_value entry, const char *name)
{
    int64_t n;
    return pw_integer(pw_get_lit(entry, name), &n) ? n : 0;
}

/* The entry of the log that the next one of this type was. */
static pw_value next_of(const pw_step *step, const char *type)
{
    size_t before = 0;
    pw_value entries = step->again->entries;
    for (size_t i = 0; i < step->entries.count; i++)
        before += is_of(step->entries.items[i], type);
    for (size_t i = 0; pw_is(entries, PW_ARRAY) && i < entries.count; i++)
        if (is_of(pw_item(entries, i), type) && before-- == 0)
            return pw_item(entries, i);
    return (pw_value){ 0 };
}

pw_fault_result pw_again_attempt(const pw_step *step, const pw_frame *frame)
{
    pw_value entries = step->again->entries;
    for (size_t i = 0; pw_is(entries, PW_ARRAY) && i < entries.count; i++) {
        pw_value entry = pw_item(entries, i);
        bool attempt = is_of(entry, "attempt.failed") || is_of(entry, "attempt.lost");
        if (attempt && number(entry, "visit") == (int64_t)frame->visit &&
            number(entry, "attempt") == frame->attempt)
            return (pw_fault_result){ .should_retry = pw_truthy(pw_get_lit(entry, "shouldRetry")),
                                      .retry_delay_ms = (uint64_t)number(entry, "retryDelayMs") };
    }
    return (pw_fault_result){ 0 };
}

pw_fault_result pw_again_stop(const pw_step *step)
{
    pw_value entry = next_of(step, "instance.faulted");
    return (pw_fault_result){
        .should_retry = pw_truthy(pw_get_lit(entry, "shouldRetry")),
        .suspend_workflow = pw_truthy(pw_get_lit(entry, "suspendWorkflow")),
        .requires_manual_intervention = pw_truthy(pw_get_lit(entry, "requiresManualIntervention")),
        .recommended_action = pw_get_text(entry, "recommendedAction"),
    };
}

pw_str pw_again_suspended(const pw_step *step)
{
    return pw_get_text(next_of(step, "instance.suspended"), "reason");
}

pw_str pw_again_key(const pw_step *step, const pw_frame *frame)
{
    pw_value entries = step->again->entries;
    for (size_t i = 0; pw_is(entries, PW_ARRAY) && i < entries.count; i++) {
        pw_value entry = pw_item(entries, i);
        if (is_of(entry, "task.started") && number(entry, "visit") == (int64_t)frame->visit)
            return pw_get_text(entry, "idempotencyKey");
    }
    return (pw_str){ 0 };
}

static uint64_t limit_told_of(pw_value entries)
{
    for (size_t i = 0; pw_is(entries, PW_ARRAY) && i < entries.count; i++)
        if (is_of(pw_item(entries, i), "instance.long-running"))
            return (uint64_t)number(pw_item(entries, i), "thresholdMs");
    return 0;
}

/* ------------------------------------------------------------------ one step */

static bool kind_of(pw_event_kind *out, pw_str name)
{
    for (int kind = PW_EVENT_START; kind <= PW_EVENT_REWIND; kind++)
        if (pw_str_is(name, pw_event_name((pw_event_kind)kind))) {
            *out = (pw_event_kind)kind;
            return true;
        }
    return false;
}

typedef struct child_of {
    uint64_t visit;
    pw_str key;
} child_of;

static void look_for_child(void *context, const pw_frame *frame)
{
    child_of *wanted = context;
    if (frame->phase == PHASE_CHILD && frame->visit == wanted->visit)
        wanted->key = frame->key;
}

static pawl_code unreadable(const pw_past_step *step, pawl_error *err)
{
    return pw_fail(err, PAWL_STATE, "step %llu of the log cannot be decided again: its row cannot be read",
                   (unsigned long long)step->sequence);
}

/* The event of the step, and what the settings were. */
static pawl_code read_step(pw_replay *replay, const pw_past_step *step, pw_event *event, pw_core_settings *settings,
                           pw_value *entries, pw_arena *arena, pawl_error *err)
{
    pw_value cause = { 0 };
    pawl_code code = pw_entries_parse(entries, step->entries, &replay->source, arena, err);
    if (code == PAWL_OK && step->cause.len)
        code = pw_entries_parse(&cause, step->cause, &replay->source, arena, err);
    if (code != PAWL_OK)
        return pw_error_context(err, code, "step %llu of the log", (unsigned long long)step->sequence);
    *event = (pw_event){ .now_ms = step->at_ms,
                         .seed = pw_step_seed(replay->identity.instance, step->sequence),
                         .actor = pw_str_is(step->actor, "system") ? (pw_str){ 0 } : step->actor };
    if (!kind_of(&event->kind, step->event))
        return pw_fail(err, PAWL_SCHEMA, "step %llu of the log was caused by '" PW_FMT "', which this version does not know",
                       (unsigned long long)step->sequence, PW_ARG(step->event));
    if (!pw_cause_read(event, cause, *entries, arena))
        return arena->failed ? pw_no_memory(err) : unreadable(step, err);
    if (event->kind == PW_EVENT_CHILD_ENDED && !event->key.len && replay->state) {
        child_of wanted = { .visit = event->visit };
        pw_frames_each(replay->state->root, look_for_child, &wanted);
        event->key = wanted.key;
    }
    pw_str then = pw_get_text(cause, "st");
    if (then.len) {
        pw_state *rewound;
        code = pw_state_parse_branches(&rewound, then, pw_get_text(cause, "br"), replay->program, &replay->source, arena,
                                       err);
        if (code != PAWL_OK)
            return pw_error_context(err, code, "step %llu of the log: the state that it went back to",
                                    (unsigned long long)step->sequence);
        event->rewound = rewound;
    }
    int64_t begun, unknown = number(cause, "ou");
    *settings = replay->settings;
    settings->tasks_per_step = pw_integer(pw_get_lit(cause, "b"), &begun) ? (uint32_t)begun : UINT32_MAX;
    settings->on_unknown = unknown >= 0 && unknown <= PW_ON_UNKNOWN_FAULT ? (pw_on_unknown)unknown : PW_ON_UNKNOWN_DEFAULT;
    settings->long_running_ms = limit_told_of(*entries);
    return PAWL_OK;
}

/* A step that took a command out of the inbox which had no effect: nothing was decided. */
static bool is_without_effect(pw_value entries)
{
    return is_of(pw_item(entries, 0), "command.without-effect");
}

static pawl_code differs(const pw_past_step *step, pw_value then, const pw_transition *t, pw_arena *arena, pawl_error *err)
{
    pw_value now = t->whole_entries;
    size_t at = 0;
    if (pw_is(now, PW_NONE) && pw_json_parse(&now, t->entries, NULL, arena, err) != PAWL_OK)
        return unreadable(step, err);
    while (at < then.count && at < now.count && pw_equal(pw_item(then, at), pw_item(now, at)))
        at++;
    pw_str type = pw_get_text(pw_item(then, at), "type");
    return pw_fail(err, PAWL_STATE,
                   "step %llu of the log (" PW_FMT ") does not come out as it did, from its entry %zu (" PW_FMT ") on: it was "
                   "made by another version, so the state behind it cannot be told",
                   (unsigned long long)step->sequence, PW_ARG(step->event), at,
                   PW_ARG(type.len ? type : PW_LIT("which is not there")));
}

static pawl_code decide(pw_replay *replay, const pw_past_step *step, pw_again *again, pw_arena *arena, pawl_error *err)
{
    pw_event event;
    pw_core_settings settings;
    pw_transition t;
    pawl_code code = read_step(replay, step, &event, &settings, &again->entries, arena, err);
    if (code != PAWL_OK)
        return code;
    if (is_without_effect(again->entries) && replay->state) {
        replay->identity.sequence = step->sequence;
        return PAWL_OK;
    }
    if ((event.kind == PW_EVENT_START) != (replay->state == NULL))
        return unreadable(step, err);
    pw_identity identity = replay->identity;
    identity.sequence = step->sequence;
    if (event.kind == PW_EVENT_START)
        identity.created_ms = step->at_ms;
    code = pw_step_decide(&t, replay->program, replay->state, &identity, &event, &settings, again,
                          replay->machine, arena, err);
    if (code != PAWL_OK)
        return pw_error_context(err, code, "step %llu of the log", (unsigned long long)step->sequence);
    if (again->until && !again->reached)
        return pw_fail(err, PAWL_NOT_FOUND, "in step %llu of the log no task of the visit %llu begins",
                       (unsigned long long)step->sequence, (unsigned long long)again->until);
    if (!t.changed && again->until) { /* it was about to begin behind the step before */
        replay->identity = identity;
        return PAWL_OK;
    }
    if (!t.changed)
        return pw_fail(err, PAWL_STATE, "step %llu of the log (" PW_FMT ") does not come out as it did: " PW_FMT,
                       (unsigned long long)step->sequence, PW_ARG(step->event),
                       PW_ARG(t.message.len ? t.message : PW_LIT("nothing changes")));
    if (!again->until && !pw_str_eq(t.entries, step->entries))
        return differs(step, again->entries, &t, arena, err);
    replay->state = t.state;
    replay->identity = identity;
    return PAWL_OK;
}

/* ------------------------------------------------------------------ the replay */

pawl_code pw_replay_new(pw_replay **out, const pw_program *program, const pw_identity *identity,
                        const pw_core_settings *settings, const pw_payload_source *source,
                        pw_expr_machine *machine, pawl_error *err)
{
    pw_replay *replay = calloc(1, sizeof *replay);
    if (!replay)
        return pw_no_memory(err);
    replay->program = program;
    replay->identity = *identity;
    replay->identity.sequence = 0;
    replay->settings = (pw_core_settings){ .generation = settings->generation, .past = settings->past, .past_count = settings->past_count };
    replay->source = *source;
    replay->machine = machine;
    *out = replay;
    return PAWL_OK;
}

void pw_replay_free(pw_replay *replay)
{
    free(replay);
}

static pawl_code go(pw_replay *replay, const pw_past_step *step, uint64_t until, pw_arena *arena, pawl_error *err)
{
    uint64_t next = replay->identity.sequence + 1;
    pw_again again = { .until = until };
    if (step->sequence != next)
        return pw_fail(err, PAWL_CORRUPT, "step %llu of the log is not there", (unsigned long long)next);
    return decide(replay, step, &again, arena, err);
}

pawl_code pw_replay_step(pw_replay *replay, const pw_past_step *step, pw_arena *arena, pawl_error *err)
{
    return go(replay, step, 0, arena, err);
}

pawl_code pw_replay_until(pw_replay *replay, const pw_past_step *step, uint64_t visit, pw_arena *arena, pawl_error *err)
{
    return go(replay, step, visit, arena, err);
}

pawl_code pw_replay_move(pw_replay *replay, pw_arena *arena, pawl_error *err)
{
    pw_state *copy;
    pawl_code code = replay->state ? pw_state_copy(&copy, replay->state, arena, err) : PAWL_OK;
    if (code == PAWL_OK && replay->state)
        replay->state = copy;
    return code;
}

const pw_state *pw_replay_state(const pw_replay *replay)
{
    return replay->state;
}
