/* notes.c - see notes.h. Where nobody listens, a step costs a few loads here. */
#include <stdio.h>
#include "engine/engine.h"
#include "engine/notes.h"
#include "base/json.h"
#include <time.h>

static int64_t clock_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void say(const pw_live *live, pw_log_level level, const char *event, const pw_log_field *fields, size_t count, const char *message)
{
    const pw_log_line line = { .level = level,
                               .component = "engine",
                               .event = event,
                               .instance = pw_live_id(live),
                               .correlation = live->correlation,
                               .trace = live->trace,
                               .fields = fields,
                               .field_count = count };
    if (pw_log_wants(level, "engine"))
        pw_log(&line, "%s", message);
}

/* Errors about what was given may quote it. */
const char *pw_note_reason(const pawl_error *err)
{
    const bool systems = err->code == PAWL_IO || err->code == PAWL_BUSY || err->code == PAWL_SCHEMA || err->code == PAWL_NO_MEMORY ||
                         err->code == PAWL_TIMEOUT || err->code == PAWL_LOST;
    return systems ? err->message : pawl_code_name(err->code);
}

/* ------------------------------------------------------------------ steps: the log */

static pw_str actor_of(const pw_commit *commit)
{
    return commit->item.actor.len ? commit->item.actor : PW_LIT("system");
}

/* Of the problem only what is no text of the workflow's: its type without query, its status. */
static void say_fault(const pw_live *live, const pw_fault *fault)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value problem = pw_null();
    if (pw_json_parse(&problem, fault->error, NULL, &arena, NULL) != PAWL_OK)
        problem = pw_null();
    char status[PW_REAL_SIZE] = "";
    const pw_value number = pw_get_lit(problem, "status");
    if (pw_is(number, PW_NUMBER))
        (void)snprintf(status, sizeof status, PW_FMT, PW_ARG(pw_json_text(&arena, number, PW_JSON_COMPACT)));
    const pw_log_field fields[] = {
        PW_LOG_S("task", fault->task),         PW_LOG_S("kind", fault->kind),
        PW_LOG_S("class", fault->class_),      PW_LOG_S("error", pw_get_text(problem, "type")),
        PW_LOG_S("status", pw_str_of(status)), PW_LOG_N("attempts", fault->attempt),
        PW_LOG_S("decision", fault->decision),
    };
    say(live, PW_LOG_WARNING, "incident.opened", fields, PW_LENGTH(fields), "a task has failed for good: see pawl incidents");
    pw_arena_done(&arena);
}

/* Times of rows are as they are stored, which may be anything in a damaged one. */
static int64_t age_ms(const pw_live *live)
{
    int64_t age = 0;
    return __builtin_sub_overflow(live->last_ms, live->created_ms, &age) ? 0 : age;
}

static int64_t in_us(int64_t ms)
{
    int64_t us = 0;
    return __builtin_mul_overflow(ms, 1000, &us) ? 0 : us;
}

static void say_status(const pw_live *live, const pw_commit *commit)
{
    static const char *const events[] = {
        [PW_SUSPENDED] = "instance.suspended", [PW_COMPENSATING] = "instance.compensating", [PW_COMPLETED] = "instance.completed",
        [PW_FAULTED] = "instance.faulted",     [PW_CANCELLED] = "instance.cancelled",       [PW_COMPENSATED] = "instance.compensated",
    };
    const pw_status status = live->status;
    const char *event = status < PW_LENGTH(events) && events[status] ? events[status] : "instance.continued";
    const pw_program *program = live->program;
    const pw_log_field fields[] = {
        PW_LOG_S("namespace", program->namespace_),
        PW_LOG_S("name", program->name),
        PW_LOG_S("version", program->version),
        PW_LOG_S("by", actor_of(commit)),
        PW_LOG_N("ageMs", age_ms(live)),
    };
    const pw_log_level level = status == PW_FAULTED || status == PW_SUSPENDED ? PW_LOG_WARNING
                               : status == PW_COMPLETED                       ? PW_LOG_DEBUG
                                                                              : PW_LOG_INFO;
    char message[64];
    (void)snprintf(message, sizeof message, "the instance is %s", pw_status_name(status));
    say(live, level, event, fields, PW_LENGTH(fields), message);
}

/* Between these an instance moves all the time. */
static bool is_daily(pw_status status)
{
    return status == PW_PENDING || status == PW_RUNNING || status == PW_WAITING;
}

static bool is_action(pw_event_kind kind)
{
    return kind == PW_EVENT_CANCEL || kind == PW_EVENT_SUSPEND || kind == PW_EVENT_CONTINUE || (kind >= PW_EVENT_RETRY && kind != PW_EVENT_PLAN);
}

static void say_action(const pw_live *live, const pw_commit *commit)
{
    const pw_log_field fields[] = { PW_LOG_S("action", pw_str_of(pw_event_name(commit->item.event))), PW_LOG_S("by", actor_of(commit)) };
    say(live, PW_LOG_INFO, "instance.acted", fields, PW_LENGTH(fields), "somebody has acted on the instance");
}

/* Each entry of the step in its own line: types, tasks and numbers. */
static void say_entries(const pw_live *live, const pw_commit *commit)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value entries = pw_null();
    if (pw_json_parse(&entries, commit->transition.entries, NULL, &arena, NULL) != PAWL_OK || !pw_is(entries, PW_ARRAY))
        entries = (pw_value){ .type = PW_ARRAY };
    for (uint32_t i = 0; i < entries.count; i++) {
        const pw_value entry = pw_item(entries, i), attempt = pw_get_lit(entry, "attempt");
        pw_log_field fields[5] = { PW_LOG_S("entry", pw_get_text(entry, "type")), PW_LOG_N("sequence", commit->item.token + 1) };
        size_t count = 2;
        if (pw_get_text(entry, "task").len)
            fields[count++] = PW_LOG_S("task", pw_get_text(entry, "task"));
        if (pw_is(attempt, PW_NUMBER) && attempt.form == PW_FORM_INT)
            fields[count++] = PW_LOG_N("attempt", attempt.as.integer);
        if (i == 0)
            fields[count++] = PW_LOG_S("cause", pw_str_of(pw_event_name(commit->item.event)));
        say(live, PW_LOG_DEBUG, "step.entry", fields, count, "a line of the execution log");
    }
    pw_arena_done(&arena);
}

/* ------------------------------------------------------------------ steps: traces */

static void step_id(unsigned char out[8], pw_str instance, uint64_t sequence)
{
    pw_trace_span_id(out, instance, "step", sequence, 0);
}

/* From its start to its end, under what has started it. */
static void give_root(const pawl *p, const pw_live *live)
{
    pw_span span = { .kind = "internal", .begin_us = in_us(live->created_ms), .end_us = in_us(live->last_ms) };
    bool sampled;
    unsigned char trace[16];
    pw_trace_id(span.trace, pw_live_id(live), live->trace);
    pw_trace_root(span.id, pw_live_id(live));
    (void)pw_trace_read(trace, span.parent, &sampled, live->trace);
    char name[256];
    (void)snprintf(name, sizeof name, "workflow " PW_FMT "/" PW_FMT, PW_ARG(live->program->namespace_), PW_ARG(live->program->name));
    const pw_log_field fields[] = {
        PW_LOG_S("pawl.instance", pw_live_id(live)),
        PW_LOG_S("pawl.correlation", live->correlation),
        PW_LOG_S("pawl.namespace", live->program->namespace_),
        PW_LOG_S("pawl.name", live->program->name),
        PW_LOG_S("pawl.version", live->program->version),
        PW_LOG_S("pawl.status", pw_str_of(pw_status_name(live->status))),
        PW_LOG_N("pawl.steps", live->token),
    };
    span.name = pw_str_of(name);
    span.failed = live->status == PW_FAULTED;
    span.fields = fields;
    span.field_count = PW_LENGTH(fields);
    pw_trace_span(p->tracer, &span);
}

static void give_event(const pawl *p, const pw_live *live, const pw_outbox_event *event, const pw_span *step, uint64_t sequence, uint64_t ordinal)
{
    pw_span span = { .kind = "producer", .begin_us = step->end_us, .end_us = step->end_us };
    const pw_log_field fields[] = {
        PW_LOG_S("pawl.instance", pw_live_id(live)),
        PW_LOG_S("messaging.destination.name", event->type),
    };
    memcpy(span.trace, step->trace, sizeof span.trace);
    memcpy(span.parent, step->id, sizeof span.parent);
    pw_trace_span_id(span.id, pw_live_id(live), "event", sequence, ordinal);
    span.name = PW_LIT("publish");
    span.fields = fields;
    span.field_count = PW_LENGTH(fields);
    pw_trace_span(p->tracer, &span);
}

static void trace_step(const pawl *p, const pw_live *live, const pw_note_before *before)
{
    const pw_commit *commit = &live->commit;
    const pw_transition *t = &commit->transition;
    if (!pw_trace_sampled(p->tracer, pw_live_id(live), live->trace))
        return;
    pw_span span = { .kind = "internal", .end_us = clock_us() };
    span.begin_us = span.end_us - (int64_t)(commit->begun_ns ? (pw_monotonic_ns() - commit->begun_ns) / 1000 : 0);
    char name[64];
    (void)snprintf(name, sizeof name, "step %s", pw_event_name(commit->item.event));
    const pw_log_field fields[] = {
        PW_LOG_S("pawl.instance", pw_live_id(live)),
        PW_LOG_S("pawl.correlation", live->correlation),
        PW_LOG_N("pawl.sequence", live->token),
        PW_LOG_S("pawl.status", pw_str_of(pw_status_name(live->status))),
        PW_LOG_S("pawl.actor", actor_of(commit)),
    };
    pw_trace_id(span.trace, pw_live_id(live), live->trace);
    pw_trace_root(span.parent, pw_live_id(live));
    step_id(span.id, pw_live_id(live), live->token);
    span.name = pw_str_of(name);
    span.failed = t->fault != NULL;
    span.fields = fields;
    span.field_count = PW_LENGTH(fields);
    pw_trace_span(p->tracer, &span);
    for (size_t i = 0; i < t->event_count; i++)
        give_event(p, live, &t->events[i], &span, live->token, i + 1); /* ordinals are from 1 */
    if (!before->over && pw_live_over(live))
        give_root(p, live);
}

void pw_note_step(const pw_shard *shard, const pw_live *live, const pw_note_before *before)
{
    const pw_commit *commit = &live->commit;
    const pw_transition *t = &commit->transition;
    if (pw_log_wants(PW_LOG_DEBUG, "engine"))
        say_entries(live, commit);
    if (t->fault)
        say_fault(live, t->fault);
    if (is_action(commit->item.event))
        say_action(live, commit);
    if (t->resolution.len) {
        const pw_log_field fields[] = { PW_LOG_S("how", t->resolution), PW_LOG_S("by", actor_of(commit)) };
        say(live, PW_LOG_INFO, "incident.resolved", fields, PW_LENGTH(fields), "the incident is over");
    }
    if (live->status != before->status && !(is_daily(live->status) && is_daily(before->status)))
        say_status(live, commit);
    if (shard->engine->tracer)
        trace_step(shard->engine, live, before);
}

/* ------------------------------------------------------------------ calls */

static void trace_call(const pawl *p, const pw_http_call *call, pw_str service)
{
    unsigned char trace[16];
    bool sampled = false;
    pw_span span = { .kind = "client", .end_us = clock_us(), .name = call->request.method };
    if (!pw_trace_read(trace, span.id, &sampled, call->trace) || !sampled)
        return;
    const pw_call_result *r = &call->result;
    memcpy(span.trace, trace, sizeof trace);
    span.begin_us = span.end_us - (int64_t)r->duration_ms * 1000;
    if (call->sequence)
        step_id(span.parent, call->instance, call->sequence);
    else
        pw_trace_root(span.parent, call->instance);
    const pw_log_field fields[] = {
        PW_LOG_S("pawl.instance", call->instance),
        PW_LOG_N("pawl.attempt", call->attempt),
        PW_LOG_S("http.request.method", call->request.method),
        PW_LOG_S("server.address", service),
        PW_LOG_N("http.response.status_code", r->status),
        PW_LOG_S("error.type", r->answered ? PW_LIT("") : pw_str_of(pw_error_class_name(r->class_))),
    };
    span.failed = !r->answered || r->status >= 400;
    span.fields = fields;
    span.field_count = PW_LENGTH(fields);
    pw_trace_span(p->tracer, &span);
}

void pw_note_call(const pawl *p, const pw_http_call *call)
{
    const bool wanted = pw_log_wants(PW_LOG_DEBUG, "http");
    if (call->cancelled || (!wanted && !p->tracer))
        return;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    const pw_call_result *r = &call->result;
    const pw_str service = call->service.len ? call->service : pw_http_service_name(&arena, call->request.uri);
    const pw_log_field fields[] = {
        PW_LOG_S("service", service),
        PW_LOG_S("method", call->request.method),
        PW_LOG_N("attempt", call->attempt),
        PW_LOG_N("status", r->status),
        PW_LOG_S("failure", r->answered ? PW_LIT("") : pw_str_of(pw_error_class_name(r->class_))),
        PW_LOG_N("durationMs", r->duration_ms),
    };
    const pw_log_line line = { .level = PW_LOG_DEBUG,
                               .component = "http",
                               .event = "call.ended",
                               .instance = call->instance,
                               .correlation = call->correlation,
                               .trace = call->trace,
                               .fields = fields,
                               .field_count = PW_LENGTH(fields) };
    if (wanted)
        pw_log(&line, "%s", r->answered ? "a call was answered" : "a call was not answered");
    if (p->tracer)
        trace_call(p, call, service);
    pw_arena_done(&arena);
}

/* ------------------------------------------------------------------ what does not go */

void pw_note_trouble(const pw_live *live, const pawl_error *err)
{
    if (err->code == PAWL_OK) {
        say(live, PW_LOG_INFO, "instance.moves", NULL, 0, "the instance moves again");
        return;
    }
    char at[96];
    (void)snprintf(at, sizeof at, "%s:%d", err->file ? err->file : "", err->line);
    const pw_log_field fields[] = { PW_LOG_S("code", pw_str_of(pawl_code_name(err->code))), PW_LOG_S("at", pw_str_of(at)),
                                    PW_LOG_S("reason", pw_str_of(pw_note_reason(err))), PW_LOG_N("tries", live->tries) };
    say(live, PW_LOG_WARNING, "instance.stuck", fields, PW_LENGTH(fields), "the instance does not move although it should: see pawl show");
}

void pw_note_command(const pw_command *command, const pawl_error *err, bool again, uint64_t delay_ms)
{
    const pw_log_level level = again ? PW_LOG_INFO : PW_LOG_WARNING;
    if (!pw_log_wants(level, "engine"))
        return;
    const pw_log_field fields[] = {
        PW_LOG_S("command", pw_str_of(pw_event_name(command->event.kind))),
        PW_LOG_S("code", pw_str_of(pawl_code_name(err->code))),
        PW_LOG_S("reason", pw_str_of(pw_note_reason(err))),
        PW_LOG_N("tries", command->tries.made),
        PW_LOG_N("delayMs", delay_ms),
    };
    const pw_log_line line = { .level = level,
                               .component = "engine",
                               .event = again ? "command.retried" : "command.failed",
                               .instance = command->instance,
                               .correlation = command->create ? command->create->correlation : command->correlation,
                               .trace = command->create ? command->create->trace : (pw_str){ 0 },
                               .fields = fields,
                               .field_count = again ? PW_LENGTH(fields) : PW_LENGTH(fields) - 1 };
    pw_log(&line, "%s", again ? "a command was not committed: it is tried again" : "a command was not committed, and is given up");
}
