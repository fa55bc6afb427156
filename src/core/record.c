/* record.c - what a step leaves behind for people: log entries, events, problems. */
#include <stdio.h>
#include "core/step.h"
#include "base/json.h"

pw_value pw_text_value(pw_arena *arena, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t n = len < 0 ? 0 : (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    while (n > 0 && !pw_utf8_valid((pw_str){ text, n })) /* cut inside a character */
        n--;
    return pw_string(arena, (pw_str){ text, n });
}

pw_value pw_moment_value(pw_arena *arena, int64_t ms)
{
    return pw_string_ref(pw_moment_text(arena, ms));
}

pw_value pw_str_value(pw_str s)
{
    return s.len ? pw_string_ref(s) : (pw_value){ 0 };
}

void pw_record(pw_step *step, const char *type, const pw_frame *frame, const pw_member *more,
               size_t count)
{
    PW_ASSERT(count <= 12);
    pw_member members[16] = { { PW_LIT("type"), pw_string_ref(pw_str_of(type)) } };
    size_t n = 1;
    if (frame && frame->task) {
        members[n++] = (pw_member){ PW_LIT("task"), pw_string_ref(frame->task->pointer) };
        members[n++] = (pw_member){ PW_LIT("visit"), pw_int((int64_t)frame->visit) };
    }
    for (size_t i = 0; i < count; i++)
        members[n++] = more[i];
    pw_array_add(&step->entries, pw_object_of(step->arena, members, n));
}

void pw_record_literal(pw_step *step, const pw_frame *frame, const pw_template *tmpl,
                       pw_value problem)
{
    pw_literal *literals = step->literals.items;
    for (size_t i = 0; i < step->literals.count; i++)
        if (literals[i].tmpl == tmpl) {
            literals[i].times++;
            return;
        }
    if (step->literals.count == PW_LITERALS_PER_STEP) {
        step->more_literals++;
        return;
    }
    pw_literal *literal = PW_PUSH(step, literals, pw_literal);
    *literal = (pw_literal){ tmpl, frame, problem, 1 };
}

void pw_record_literals(pw_step *step)
{
    const pw_literal *literals = step->literals.items;
    for (size_t i = 0; i < step->literals.count; i++) {
        pw_str text = pw_text(literals[i].tmpl->value);
        PW_RECORD(step, "expression.literal", literals[i].frame,
                  { PW_LIT("text"), pw_text_value(step->arena, PW_FMT, PW_ARG(text)) },
                  { PW_LIT("error"), pw_get_lit(literals[i].problem, "detail") },
                  { PW_LIT("times"), pw_int((int64_t)literals[i].times) });
    }
    if (step->more_literals)
        PW_RECORD(step, "expression.literal", NULL,
                  { PW_LIT("more"), pw_int((int64_t)step->more_literals) });
}

/* ------------------------------------------------------------------ problems */

pw_value pw_problem(pw_step *step, const pw_frame *frame, const char *suffix, int status,
                    const char *title, const char *format, ...)
{
    char detail[600];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    size_t n = len < 0 ? 0 : (size_t)len < sizeof detail ? (size_t)len : sizeof detail - 1;
    while (n > 0 && !pw_utf8_valid((pw_str){ detail, n }))
        n--;
    pw_str base = step->program->error_base;
    pw_member members[] = {
        { PW_LIT("type"),
          pw_string_ref(pw_arena_printf(step->arena, PW_FMT "%s", PW_ARG(base), suffix)) },
        { PW_LIT("status"), pw_int(status) },
        { PW_LIT("title"), pw_string(step->arena, pw_str_of(title)) },
        { PW_LIT("detail"), n ? pw_string(step->arena, (pw_str){ detail, n }) : (pw_value){ 0 } },
        { PW_LIT("instance"),
          frame && frame->task ? pw_string_ref(frame->task->pointer) : pw_string_ref(PW_LIT("/")) },
    };
    return pw_object_of(step->arena, members, PW_LENGTH(members));
}

int32_t pw_problem_status(pw_value problem)
{
    int64_t status;
    if (!pw_integer(pw_get_lit(problem, "status"), &status) || status < INT32_MIN ||
        status > INT32_MAX)
        return 500;
    return (int32_t)status;
}

/* ------------------------------------------------------------------ events */

static pw_str event_id(pw_step *step)
{
    return pw_arena_printf(step->arena, PW_FMT "-%llu-%zu", PW_ARG(step->identity->instance),
                           (unsigned long long)step->identity->sequence, step->events.count + 1);
}

static pw_str default_source(pw_step *step)
{
    const pw_program *p = step->program;
    return pw_arena_printf(step->arena, "/" PW_FMT "/" PW_FMT "/" PW_FMT, PW_ARG(p->namespace_),
                           PW_ARG(p->name), PW_ARG(p->version));
}

static void push_event(pw_step *step, pw_str id, pw_value event)
{
    pw_outbox_event *row = PW_PUSH(step, events, pw_outbox_event);
    row->id = id;
    row->type = pw_get_text(event, "type");
    row->source = pw_get_text(event, "source");
    row->payload = pw_json_text(step->arena, event, PW_JSON_COMPACT);
    if (!row->payload.ptr)
        pw_step_abort(step, PAWL_NO_MEMORY, "out of memory");
    step->event_bytes += row->payload.len;
    if (step->event_bytes > PW_PAYLOAD_WHOLE_MAX)
        pw_step_abort(step, PAWL_INVALID,
                      "the events of one step are larger than the limit of 256 MiB");
    if (step->event_bytes > PW_EVENT_BYTES_PER_STEP)
        step->budget = 0; /* the rest is left to the next step */
}

bool pw_record_event(pw_step *step, pw_frame *frame, pw_value with, pw_value *out)
{
    pw_str id = event_id(step);
    static const char *const texts[] = {
        "id", "source", "type", "specversion", "subject", "time", "datacontenttype", "dataschema"
    };
    for (size_t i = 0; i < PW_LENGTH(texts); i++) {
        pw_value v = pw_get_lit(with, texts[i]);
        if (!pw_is(v, PW_NONE) && !(pw_is(v, PW_STRING) && v.count)) {
            step->thrown = pw_problem(step, frame, "validation", 400, "not a CloudEvent",
                                      "the attribute '%s' must be a text that is not empty, not %s",
                                      texts[i], pw_type_name(v));
            return false;
        }
    }
    if (pw_is(pw_get_lit(with, "type"), PW_NONE)) {
        step->thrown = pw_problem(step, frame, "validation", 400, "not a CloudEvent",
                                  "the attribute 'type' is missing");
        return false;
    }
    pw_object_builder event = { .arena = step->arena };
    pw_object_add(&event, PW_LIT("specversion"), pw_string_ref(PW_LIT("1.0")));
    pw_object_add(&event, PW_LIT("id"), pw_string_ref(id));
    pw_object_add(&event, PW_LIT("source"), pw_string_ref(default_source(step)));
    pw_object_add(&event, PW_LIT("time"), pw_moment_value(step->arena, step->event->now_ms));
    const pw_member *members = pw_members(with);
    for (uint32_t i = 0; i < with.count; i++)
        pw_object_add(&event, members[i].key, members[i].value);
    *out = pw_object_end(&event);
    push_event(step, id, *out);
    return true;
}

void pw_record_notice(pw_step *step, pw_frame *frame, const char *type, const pw_member *more,
                      size_t count)
{
    const pw_program *p = step->program;
    pw_arena *arena = step->arena;
    pw_str instance = step->identity->instance;
    pw_object_builder data = { .arena = arena };
    pw_object_add(&data, PW_LIT("namespace"), pw_string_ref(p->namespace_));
    pw_object_add(&data, PW_LIT("name"), pw_string_ref(p->name));
    pw_object_add(&data, PW_LIT("version"), pw_string_ref(p->version));
    pw_object_add(&data, PW_LIT("instance"), pw_string_ref(instance));
    for (size_t i = 0; i < count; i++)
        pw_object_add(&data, more[i].key, more[i].value);
    pw_member with[] = {
        { PW_LIT("type"), pw_string_ref(pw_str_of(type)) },
        { PW_LIT("subject"), pw_string_ref(instance) },
        { PW_LIT("datacontenttype"), pw_string_ref(PW_LIT("application/json")) },
        { PW_LIT("data"), pw_object_end(&data) },
    };
    pw_value event;
    bool good = pw_record_event(step, frame, pw_object_of(arena, with, PW_LENGTH(with)), &event);
    PW_ASSERT(good);
}

/* ------------------------------------------------------------------ lifecycle */

/* "startedAt", of a correlation, too. */
static pw_str time_member(pw_arena *arena, pw_life kind)
{
    const char *name = pw_life_name(kind), *dash = strrchr(name, '-');
    return pw_arena_printf(arena, "%sAt", dash ? dash + 1 : name);
}

static pw_value qualified_name(pw_step *step)
{
    const pw_program *p = step->program;
    return pw_string_ref(pw_arena_printf(step->arena, PW_FMT "-" PW_FMT "." PW_FMT, PW_ARG(p->name),
                                         PW_ARG(step->identity->instance), PW_ARG(p->namespace_)));
}

static void push_lifecycle(pw_step *step, const char *of, pw_life kind, pw_object_builder *data,
                           pw_value what)
{
    pw_arena *arena = step->arena;
    if (kind == PW_LIFE_FAULTED)
        pw_object_add(data, PW_LIT("error"), what);
    else if (kind == PW_LIFE_COMPLETED)
        pw_object_add(data, PW_LIT("output"), what);
    else if (kind == PW_LIFE_CORRELATION_COMPLETED)
        pw_object_add(data, PW_LIT("correlationKeys"), what);
    pw_str id = event_id(step);
    pw_member event[] = {
        { PW_LIT("specversion"), pw_string_ref(PW_LIT("1.0")) },
        { PW_LIT("id"), pw_string_ref(id) },
        { PW_LIT("source"), pw_string_ref(default_source(step)) },
        { PW_LIT("type"), pw_string_ref(pw_arena_printf(arena, "io.serverlessworkflow.%s.%s.v1", of,
                                                        pw_life_name(kind))) },
        { PW_LIT("subject"), pw_string_ref(step->identity->instance) },
        { PW_LIT("time"), pw_moment_value(arena, step->event->now_ms) },
        { PW_LIT("datacontenttype"), pw_string_ref(PW_LIT("application/json")) },
        { PW_LIT("data"), pw_object_end(data) },
    };
    push_event(step, id, pw_object_of(arena, event, PW_LENGTH(event)));
}

void pw_record_lifecycle(pw_step *step, pw_life kind, pw_value what)
{
    const pw_program *p = step->program;
    if (!(p->lifecycle.workflow & PW_BIT(kind)) || step->state->root->schedule)
        return; /* a schedule is no workflow to the outside */
    pw_object_builder data = { .arena = step->arena };
    pw_object_add(&data, PW_LIT("name"), qualified_name(step));
    pw_object_add(&data, time_member(step->arena, kind),
                  pw_moment_value(step->arena, step->event->now_ms));
    if (kind == PW_LIFE_STARTED) {
        pw_member definition[] = { { PW_LIT("name"), pw_string_ref(p->name) },
                                   { PW_LIT("namespace"), pw_string_ref(p->namespace_) },
                                   { PW_LIT("version"), pw_string_ref(p->version) } };
        pw_object_add(&data, PW_LIT("definition"), pw_object_of(step->arena, definition, 3));
    }
    bool without = kind == PW_LIFE_COMPLETED && !p->lifecycle.workflow_output;
    push_lifecycle(step, "workflow", kind, &data, without ? (pw_value){ 0 } : what);
}

void pw_record_task_lifecycle(pw_step *step, pw_life kind, const pw_frame *frame, pw_value what)
{
    if (step->state->root->schedule)
        return;
    pw_object_builder data = { .arena = step->arena };
    pw_object_add(&data, PW_LIT("workflow"), qualified_name(step));
    pw_object_add(&data, PW_LIT("task"), pw_string_ref(frame->task->pointer));
    pw_object_add(&data, PW_LIT("visit"), pw_int((int64_t)frame->visit));
    pw_object_add(&data, time_member(step->arena, kind),
                  pw_moment_value(step->arena, step->event->now_ms));
    bool without = kind == PW_LIFE_COMPLETED && !step->program->lifecycle.task_output;
    push_lifecycle(step, "task", kind, &data, without ? (pw_value){ 0 } : what);
}
