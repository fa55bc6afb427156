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

const char *pw_problem_class(pw_value problem)
{
    int32_t status = pw_problem_status(problem);
    pw_str suffix = pw_error_suffix(pw_get_text(problem, "type"));
    if (!suffix.len)
        return "business"; /* raised by the definition, with a type of its own */
    if (status == 408 || status == 425 || status == 429 || status >= 500)
        return "transient";
    return "permanent";
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

void pw_record_lifecycle(pw_step *step, const char *what, pw_value more)
{
    const pw_program *p = step->program;
    pw_arena *arena = step->arena;
    pw_member definition[] = { { PW_LIT("name"), pw_string_ref(p->name) },
                               { PW_LIT("namespace"), pw_string_ref(p->namespace_) },
                               { PW_LIT("version"), pw_string_ref(p->version) } };
    bool started = strcmp(what, "started") == 0;
    const char *dash = strrchr(what, '-'); /* "correlation-started" says when it started */
    pw_object_builder data = { .arena = arena };
    pw_object_add(
        &data, PW_LIT("name"),
        pw_string_ref(pw_arena_printf(arena, PW_FMT "-" PW_FMT "." PW_FMT, PW_ARG(p->name),
                                      PW_ARG(step->identity->instance), PW_ARG(p->namespace_))));
    pw_object_add(&data, pw_arena_printf(arena, "%sAt", dash ? dash + 1 : what),
                  pw_moment_value(arena, step->event->now_ms));
    if (started)
        pw_object_add(&data, PW_LIT("definition"), pw_object_of(arena, definition, 3));
    const pw_member *members = pw_members(more);
    for (uint32_t i = 0; i < more.count; i++)
        pw_object_add(&data, members[i].key, members[i].value);
    pw_str id = event_id(step);
    pw_member event[] = {
        { PW_LIT("specversion"), pw_string_ref(PW_LIT("1.0")) },
        { PW_LIT("id"), pw_string_ref(id) },
        { PW_LIT("source"), pw_string_ref(default_source(step)) },
        { PW_LIT("type"),
          pw_string_ref(pw_arena_printf(arena, "io.serverlessworkflow.workflow.%s.v1", what)) },
        { PW_LIT("subject"), pw_string_ref(step->identity->instance) },
        { PW_LIT("time"), pw_moment_value(arena, step->event->now_ms) },
        { PW_LIT("datacontenttype"), pw_string_ref(PW_LIT("application/json")) },
        { PW_LIT("data"), pw_object_end(&data) },
    };
    push_event(step, id, pw_object_of(arena, event, PW_LENGTH(event)));
}
