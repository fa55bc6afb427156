#include <stdio.h>
#include <stdlib.h>
#include "fixture.h"

void fixture_open(fixture *f, const char *tasks)
{
    static const char head[] =
        "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\ndo:\n";
    memset(f, 0, sizeof *f);
    pw_arena_init(&f->arena, 0);
    pw_arena_init(&f->kept, 0);
    bool whole = strncmp(tasks, "document:", 9) == 0;
    pw_str text = pw_arena_printf(&f->arena, "%s%s", whole ? "" : head, tasks);
    pw_findings findings = { .arena = &f->arena };
    pawl_error err;
    EXPECT_OK(pw_lang_load(&f->program, text, &findings, &err), err);
    f->machine = pw_expr_machine_new(NULL);
    EXPECT(f->machine != NULL);
    f->settings.generation = PW_LIT("generation");
    f->faults = pw_fault_policy_default;
    fixture_retries(f, 0);
    f->settings.faults = &f->faults;
    f->now_ms = T0;
    f->identity =
        (pw_identity){ .instance = PW_LIT("i1"), .correlation = PW_LIT("i1"), .created_ms = T0 };
}

void fixture_retries(fixture *f, uint32_t count)
{
    for (int kind = 0; kind < PW_FAULT_KIND_COUNT; kind++) {
        f->faults.retry[kind].count = count;
        f->faults.retry[kind].full_jitter = false;
    }
}

static pw_str state_text(const pw_state *state, pw_arena *arena)
{
    pw_state_text saved;
    pawl_error err;
    EXPECT_OK(pw_state_save(&saved, state, arena, &err), err);
    size_t len = saved.text.len + saved.branches.len;
    char *text = pw_arena_alloc(arena, len + 1);
    memcpy(text, saved.text.ptr, saved.text.len);
    if (saved.branches.len)
        memcpy(text + saved.text.len, saved.branches.ptr, saved.branches.len);
    return (pw_str){ text, len };
}

enum { KEPT_BYTES = 1 << 20, KEPT_STEPS = 200 }; /* of larger instances the simulation has enough */

static void keep_step(fixture *f, const pw_event *event)
{
    f->apart = f->apart || f->kept.used + f->t.state_text.len + f->t.entries.len > KEPT_BYTES || f->steps > KEPT_STEPS;
    if (f->apart)
        return;
    size_t count = f->steps - 1;
    pw_arena *arena = &f->kept;
    if ((count & (count - 1)) == 0) {
        f->log = pw_arena_grow(arena, f->log, count * sizeof *f->log, (2 * count + 1) * sizeof *f->log);
        f->states = pw_arena_grow(arena, f->states, count * sizeof *f->states, (2 * count + 1) * sizeof *f->states);
    }
    f->log[count] = (pw_past_step){ .sequence = f->steps,
                                    .event = pw_str_of(pw_event_name(event->kind)),
                                    .cause = pw_arena_str(arena, f->t.cause),
                                    .entries = pw_arena_str(arena, f->t.entries),
                                    .at_ms = event->now_ms,
                                    .actor = event->actor.len ? pw_arena_str(arena, event->actor) : PW_LIT("system") };
    pw_arena_mark mark = pw_arena_at(&f->arena);
    f->states[count] = pw_arena_str(arena, state_text(f->t.state, &f->arena));
    pw_arena_rewind(&f->arena, mark);
}

/* ------------------------------------------------------------------ to each place where it was */

/* What a store would have behind the step: its own payloads and those of all before it. */
typedef struct two_sources {
    pw_payload_source before;
    const pw_transition *t;
} two_sources;

static pawl_code get_either(void *context, pw_str instance, pw_str digest, pw_str *out, pw_arena *arena,
                            pawl_error *err)
{
    const two_sources *s = context;
    for (size_t i = 0; i < s->t->payload_count; i++)
        if (pw_str_eq(s->t->payloads[i].digest, digest)) {
            *out = s->t->payloads[i].text;
            return PAWL_OK;
        }
    return s->before.get(s->before.context, instance, digest, out, arena, err);
}

/* The instance as it is at the end goes back to `to`; the step is stored, read, and replayed: it gives the same. */
static void go_back(fixture *f, pw_replay *at_end, const pw_state *to, uint64_t step, uint64_t visit, pw_arena *arena)
{
    pw_transition t;
    pawl_error err;
    pw_state *read;
    const pw_identity identity = { f->identity.instance, f->identity.correlation, f->steps + 1, f->identity.created_ms };
    const pw_event event = { .kind = PW_EVENT_REWIND,
                             .now_ms = f->log[f->steps - 1].at_ms + 1,
                             .seed = pw_step_seed(f->identity.instance, f->steps + 1),
                             .actor = PW_LIT("ann"),
                             .reason = PW_LIT("once more"),
                             .rewound = to,
                             .rewound_ms = f->log[step - 1].at_ms,
                             .to_step = step,
                             .visit = visit,
                             .confirmed = true };
    const pw_state *end = pw_replay_state(at_end);
    EXPECT_OK(pw_core_step(&t, f->program, end, &identity, &event, &f->settings, f->machine, arena, &err), err);
    if (!t.changed) {
        EXPECT_INT(t.code, PAWL_STATE);
        EXPECT(t.message.len > 0);
        return;
    }
    f->went_back++;
    two_sources both = { fixture_source(f), &t };
    const pw_payload_source source = { .get = get_either, .context = &both, .instance = f->identity.instance };
    branch_rows rows = f->branches;
    EXPECT(branch_rows_apply(&rows, &t, arena));
    EXPECT_OK(pw_state_parse_branches(&read, t.state_text, branch_rows_text(&rows, arena), f->program, &source, arena,
                                      &err),
              err);
    pw_str after = state_text(t.state, arena);
    EXPECT(pw_str_eq(state_text(read, arena), after));
    const pw_past_step row = { f->steps + 1, PW_LIT("rewind"), t.cause, t.entries, event.now_ms, event.actor };
    pw_replay *replay;
    EXPECT_OK(pw_replay_new(&replay, f->program, &f->identity, &f->settings, &source, f->machine, &err), err);
    for (uint64_t i = 0; i < f->steps; i++)
        EXPECT_OK(pw_replay_step(replay, &f->log[i], arena, &err), err);
    EXPECT_OK(pw_replay_step(replay, &row, arena, &err), err);
    pw_str again = state_text(pw_replay_state(replay), arena);
    size_t same = 0;
    while (same < again.len && same < after.len && again.ptr[same] == after.ptr[same])
        same++;
    if (same < again.len || same < after.len)
        fail_msg("replayed it differs from %zu on: %.60s, not %.60s", same, again.ptr + same, after.ptr + same);
    pw_replay_free(replay);
}

enum { BACK_STEPS = 4, BACK_VISITS = 6, BACK_BYTES = 16 * 1024 };

static pw_replay *replayed(fixture *f, uint64_t steps, pw_arena *arena)
{
    const pw_payload_source source = fixture_source(f);
    pw_replay *replay;
    pawl_error err;
    EXPECT_OK(pw_replay_new(&replay, f->program, &f->identity, &f->settings, &source, f->machine, &err), err);
    for (uint64_t i = 0; i < steps; i++)
        EXPECT_OK(pw_replay_step(replay, &f->log[i], arena, &err), err);
    return replay;
}

static void go_back_before(fixture *f, pw_replay *at_end, uint64_t step, uint64_t visit, pw_arena *arena)
{
    pawl_error err;
    pw_replay *replay = replayed(f, step - 1, arena);
    pawl_code code = pw_replay_until(replay, &f->log[step - 1], visit, arena, &err);
    EXPECT(code == PAWL_OK || code == PAWL_NOT_FOUND);
    if (code == PAWL_OK)
        go_back(f, at_end, pw_replay_state(replay), step, visit, arena);
    pw_replay_free(replay);
}

static void fixture_go_back(fixture *f)
{
    pw_arena arena, kept;
    pw_arena_init(&kept, 0);
    pw_replay *at_end = replayed(f, f->steps, &kept);
    uint64_t last = 0; /* visit that has begun */
    for (uint64_t step = 1; step <= f->steps && step <= BACK_STEPS; step++) {
        pw_arena_init(&arena, 0);
        pw_replay *replay = replayed(f, step, &arena);
        go_back(f, at_end, pw_replay_state(replay), step, 0, &arena);
        pw_replay_free(replay);
        pw_value entries;
        pawl_error err;
        const pw_payload_source source = fixture_source(f);
        EXPECT_OK(pw_entries_parse(&entries, f->log[step - 1].entries, &source, &arena, &err), err);
        for (uint32_t i = 0, tried = 0; i < entries.count && tried < BACK_VISITS; i++) {
            int64_t visit;
            if (!pw_integer(pw_get_lit(pw_item(entries, i), "visit"), &visit) || (uint64_t)visit <= last)
                continue;
            last = (uint64_t)visit;
            tried++;
            go_back_before(f, at_end, step, last, &arena);
        }
        pw_arena_done(&arena);
    }
    pw_replay_free(at_end);
    pw_arena_done(&kept);
}

/* Each step of the log, decided again under other settings, gives the state that it gave. */
void fixture_replay(fixture *f)
{
    const pw_core_settings others = { .generation = f->settings.generation, .past = f->settings.past, .past_count = f->settings.past_count };
    const pw_payload_source source = fixture_source(f);
    pw_arena arenas[2];
    pw_replay *replay;
    pawl_error err;
    pw_arena_init(&arenas[0], 0);
    pw_arena_init(&arenas[1], 0);
    EXPECT_OK(pw_replay_new(&replay, f->program, &f->identity, &others, &source, f->machine, &err), err);
    for (uint64_t i = 0; i < f->steps; i++) {
        pw_arena *now = &arenas[i & 1], *next = &arenas[(i + 1) & 1];
        EXPECT_OK(pw_replay_step(replay, &f->log[i], now, &err), err);
        EXPECT_OK(pw_replay_move(replay, next, &err), err);
        pw_arena_reset(now);
        EXPECT(pw_str_eq(state_text(pw_replay_state(replay), now), f->states[i]));
    }
    pw_replay_free(replay);
    pw_arena_done(&arenas[0]);
    pw_arena_done(&arenas[1]);
    size_t bytes = 0;
    for (uint64_t i = 0; i < f->steps; i++)
        bytes += f->log[i].entries.len + f->states[i].len;
    if (f->steps && bytes <= BACK_BYTES) /* the way there is made for each place */
        fixture_go_back(f);
}

void fixture_close(fixture *f)
{
    if (!f->apart)
        fixture_replay(f);
    pw_expr_machine_free(f->machine);
    pw_program_unref(f->program);
    pw_arena_done(&f->arena);
    pw_arena_done(&f->kept);
}

static void keep_payloads(fixture *f)
{
    pw_payload_list *list = &f->payloads;
    pw_payload *items =
        pw_arena_alloc(&f->arena, (list->count + f->t.payload_count + 1) * sizeof *items);
    if (list->count)
        memcpy(items, list->items, list->count * sizeof *items);
    if (f->t.payload_count)
        memcpy(items + list->count, f->t.payloads, f->t.payload_count * sizeof *items);
    list->items = items;
    list->count += f->t.payload_count;
}

static pawl_code get_payload(void *context, pw_str instance, pw_str digest, pw_str *out,
                             pw_arena *arena, pawl_error *err)
{
    const pw_payload_list *list = context;
    EXPECT_STR(instance, "i1");
    for (size_t i = 0; i < list->count; i++)
        if (pw_str_eq(list->items[i].digest, digest)) {
            *out = pw_arena_str(arena, list->items[i].text);
            return PAWL_OK;
        }
    return pw_fail(err, PAWL_NOT_FOUND, "no such payload");
}

pw_payload_source fixture_source(fixture *f)
{
    return (pw_payload_source){ .get = get_payload,
                                .context = &f->payloads,
                                .instance = f->identity.instance };
}

void fixture_event(fixture *f, const pw_event *given)
{
    pawl_error err;
    pw_event with_seed = *given, *event = &with_seed;
    if (event->seed == 0)
        event->seed = pw_step_seed(f->identity.instance, f->steps + 1);
    else
        f->apart = true;
    f->identity.sequence = f->steps + 1;
    f->apart = f->apart || f->state != f->given || (!f->state && f->steps);
    EXPECT_OK(pw_core_step(&f->t, f->program, f->state, &f->identity, event, &f->settings,
                           f->machine, &f->arena, &err),
              err);
    if (f->t.changed) {
        f->state = f->t.state;
        f->given = f->state;
        f->steps++;
        keep_payloads(f);
        keep_step(f, event);
        EXPECT(branch_rows_apply(&f->branches, &f->t, &f->arena));
    }
}

static pw_value json(fixture *f, const char *text)
{
    pw_value v;
    pawl_error err;
    EXPECT_OK(pw_json_parse(&v, pw_str_of(text), NULL, &f->arena, &err), err);
    return v;
}

static pw_event event_of(fixture *f, pw_event_kind kind)
{
    return (pw_event){ .kind = kind, .now_ms = f->now_ms };
}

void fixture_start(fixture *f, const char *input)
{
    pw_event event = event_of(f, PW_EVENT_START);
    event.payload = json(f, input);
    fixture_event(f, &event);
}

void fixture_drive(fixture *f)
{
    pw_event event = event_of(f, PW_EVENT_DRIVE);
    fixture_event(f, &event);
}

void fixture_timer(fixture *f, int64_t at_ms)
{
    f->now_ms = at_ms;
    pw_event event = event_of(f, PW_EVENT_TIMER);
    fixture_event(f, &event);
}

void fixture_answer(fixture *f, uint64_t visit, int status, const char *type, const char *body)
{
    pw_header header = { PW_LIT("content-type"), pw_str_of(type) };
    pw_event event = event_of(f, PW_EVENT_CALL_RESULT);
    event.visit = visit;
    event.attempt = 1;
    event.call = (pw_call_result){ .answered = status > 0,
                                   .status = status,
                                   .headers = &header,
                                   .header_count = 1,
                                   .body = pw_str_of(body),
                                   .duration_ms = 12 };
    if (status == 0) {
        event.call.error = pw_str_of(body);
        event.call.class_ = PW_CLASS_CONNECTION;
        event.call.unsent = true;
    }
    fixture_event(f, &event);
}

void fixture_called(fixture *f, uint64_t visit, uint32_t attempt, pw_call_result result)
{
    pw_event event = event_of(f, PW_EVENT_CALL_RESULT);
    event.visit = visit;
    event.attempt = attempt;
    event.call = result;
    fixture_event(f, &event);
}

void fixture_result(fixture *f, uint64_t visit, uint32_t attempt, const char *text)
{
    pw_event event = event_of(f, PW_EVENT_ACTIVITY_RESULT);
    event.visit = visit;
    event.attempt = attempt;
    event.payload = json(f, text);
    fixture_event(f, &event);
}

void fixture_failed(fixture *f, uint64_t visit, uint32_t attempt, const char *error)
{
    pw_event event = event_of(f, PW_EVENT_ACTIVITY_RESULT);
    event.visit = visit;
    event.attempt = attempt;
    event.error = json(f, error);
    fixture_event(f, &event);
}

void fixture_message(fixture *f, uint64_t visit, uint64_t number, const char *text)
{
    pw_event event = event_of(f, PW_EVENT_MESSAGE);
    event.visit = visit;
    event.number = number;
    event.payload = json(f, text);
    fixture_event(f, &event);
}

void fixture_lost(fixture *f, uint64_t visit, uint32_t attempt)
{
    pw_event event = event_of(f, PW_EVENT_ACTIVITY_LOST);
    event.visit = visit;
    event.attempt = attempt;
    fixture_event(f, &event);
}

void fixture_resume(fixture *f, const char *key, const char *data, const char *actor)
{
    pw_event event = event_of(f, PW_EVENT_RESUME);
    event.key = pw_str_of(key);
    event.payload = json(f, data);
    event.actor = pw_str_of(actor);
    fixture_event(f, &event);
}

void fixture_command(fixture *f, pw_event_kind kind, const char *actor, const char *reason)
{
    pw_event event = event_of(f, kind);
    event.actor = pw_str_of(actor);
    event.reason = pw_str_of(reason);
    fixture_event(f, &event);
}

void fixture_reload(fixture *f)
{
    pawl_error err;
    pw_str text = pw_arena_str(&f->arena, f->t.state_text);
    const pw_payload_source source = fixture_source(f);
    pw_state *state;
    pw_str branches = branch_rows_text(&f->branches, &f->arena);
    EXPECT_OK(pw_state_parse_branches(&state, text, branches, f->program, &source, &f->arena, &err),
              err);
    if (f->state == f->given)
        f->given = state;
    f->state = state;
}

const char *fixture_text(fixture *f, pw_str s)
{
    return pw_arena_str(&f->arena, s).ptr;
}

const char *fixture_entries(fixture *f)
{
    pw_value entries = json(f, fixture_text(f, f->t.entries));
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (uint32_t i = 0; i < entries.count; i++) {
        pw_value entry = pw_item(entries, i);
        pw_str type = pw_get_text(entry, "type"), task = pw_get_text(entry, "task");
        pw_buf_printf(&buf, "%s" PW_FMT "%s" PW_FMT, i ? "; " : "", PW_ARG(type),
                      task.len ? " " : "", PW_ARG(task));
    }
    const char *text = fixture_text(f, pw_buf_view(&buf));
    pw_buf_done(&buf);
    return text;
}

const char *fixture_events(fixture *f)
{
    static const char prefix[] = "io.serverlessworkflow.";
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (size_t i = 0; i < f->t.event_count; i++) {
        const pw_outbox_event *event = &f->t.events[i];
        pw_str id = pw_arena_printf(&f->arena, "i1-%llu-%zu",
                                    (unsigned long long)f->identity.sequence, i + 1);
        EXPECT(pw_str_eq(event->id, id));
        pw_str type = event->type;
        if (pw_str_starts(type, pw_str_of(prefix)))
            type = (pw_str){ type.ptr + strlen(prefix), type.len - strlen(prefix) - 3 };
        pw_value data = pw_get_lit(json(f, fixture_text(f, event->payload)), "data");
        pw_str task = pw_get_text(data, "task");
        int64_t visit = 0;
        pw_buf_printf(&buf, "%s" PW_FMT, i ? "; " : "", PW_ARG(type));
        if (task.len && pw_integer(pw_get_lit(data, "visit"), &visit))
            pw_buf_printf(&buf, " " PW_FMT " %lld", PW_ARG(task), (long long)visit);
    }
    const char *text = fixture_text(f, pw_buf_view(&buf));
    pw_buf_done(&buf);
    return text;
}

pw_value fixture_entry(fixture *f, size_t at)
{
    return pw_item(json(f, fixture_text(f, f->t.entries)), at);
}

const char *fixture_entry_text(fixture *f, size_t at)
{
    return fixture_text(f, pw_json_text(&f->arena, fixture_entry(f, at), PW_JSON_COMPACT));
}

const char *fixture_member(fixture *f, const char *text, const char *member)
{
    pw_value v = pw_get_lit(json(f, text), member);
    if (pw_is(v, PW_NONE))
        return "(absent)";
    pw_str out = pw_is(v, PW_STRING) ? pw_text(v) : pw_json_text(&f->arena, v, PW_JSON_COMPACT);
    return fixture_text(f, out);
}

/* ------------------------------------------------------------------ what a step came to */

static void add_name(pw_buf *buf, pw_str pointer)
{
    size_t at = pointer.len;
    while (at > 0 && pointer.ptr[at - 1] != '/')
        at--;
    if (pointer.len)
        pw_buf_printf(buf, " " PW_FMT, PW_ARG(((pw_str){ pointer.ptr + at, pointer.len - at })));
}

static void add_entries(fixture *f, pw_buf *buf)
{
    pw_value entries = json(f, fixture_text(f, f->t.entries));
    for (uint32_t i = 0; i < entries.count; i++) {
        pw_value entry = pw_item(entries, i);
        pw_buf_printf(buf, "%s" PW_FMT, i ? ", " : "", PW_ARG(pw_get_text(entry, "type")));
        add_name(buf, pw_get_text(entry, "task"));
        if (pw_is(pw_get_lit(entry, "to"), PW_STRING)) {
            pw_buf_text(buf, " to");
            add_name(buf, pw_get_text(entry, "to"));
        }
        if (pw_is(pw_get_lit(entry, "confirmed"), PW_TRUE))
            pw_buf_text(buf, " (confirmed)");
    }
}

static void add_waits(fixture *f, pw_buf *buf)
{
    pw_value waits = pw_state_waits(f->state, f->program, &f->arena);
    for (uint32_t i = 0; i < waits.count; i++) {
        pw_value wait = pw_item(waits, i);
        pw_buf_printf(buf, "%s" PW_FMT, i ? ", " : " | ", PW_ARG(pw_get_text(wait, "kind")));
        add_name(buf, pw_get_text(wait, "task"));
    }
}

static void add_work(fixture *f, pw_buf *buf)
{
    for (size_t i = 0; i < f->t.work_count; i++)
        if (!f->t.work[i].cancel && !pw_str_is(f->t.work[i].input, "{}"))
            pw_buf_printf(buf, " " PW_FMT, PW_ARG(f->t.work[i].input));
}

const char *fixture_outcome(fixture *f)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    if (f->t.changed) {
        pw_buf_printf(&buf, "%s: ", pw_status_name(f->t.status));
        add_entries(f, &buf);
        add_waits(f, &buf);
        add_work(f, &buf);
        if (f->t.output.len)
            pw_buf_printf(&buf, " -> " PW_FMT, PW_ARG(f->t.output));
    } else if (f->t.repeated) {
        EXPECT_INT(f->t.code, PAWL_OK);
        pw_buf_printf(&buf, "same: " PW_FMT, PW_ARG(f->t.message));
    } else {
        EXPECT(f->t.code != PAWL_OK);
        pw_buf_printf(&buf, "%s/%s: " PW_FMT, pawl_code_name(f->t.code), pawl_reason_name(f->t.reason),
                      PW_ARG(f->t.message));
    }
    const char *text = fixture_text(f, pw_buf_view(&buf));
    pw_buf_done(&buf);
    return text;
}
