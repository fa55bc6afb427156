#include <stdio.h>
#include <stdlib.h>
#include "fixture.h"

void fixture_open(fixture *f, const char *tasks)
{
    static const char head[] =
        "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\ndo:\n";
    memset(f, 0, sizeof *f);
    pw_arena_init(&f->arena, 0);
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

void fixture_close(fixture *f)
{
    pw_expr_machine_free(f->machine);
    pw_program_unref(f->program);
    pw_arena_done(&f->arena);
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

void fixture_event(fixture *f, const pw_event *event)
{
    pawl_error err;
    f->identity.sequence = f->steps + 1;
    EXPECT_OK(pw_core_step(&f->t, f->program, f->state, &f->identity, event, &f->settings,
                           f->machine, &f->arena, &err),
              err);
    if (f->t.changed) {
        f->state = f->t.state;
        f->steps++;
        keep_payloads(f);
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
    return (pw_event){ .kind = kind, .now_ms = f->now_ms, .seed = 7 };
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
