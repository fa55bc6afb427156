/* incidents.c - what people see of faults: incidents, and the calls of an instance to services. */
#include <stdlib.h>
#include "engine/engine.h"
#include "engine/incidents.h"
#include "base/json.h"

enum { CHANGE_TRIES = 16 }; /* each is lost to a step that somebody else has made meanwhile */

/* ------------------------------------------------------------------ ids */

static pawl_code no_incident(const char *id, pawl_error *err)
{
    return pw_fail(err, PAWL_NOT_FOUND, "there is no incident '%.60s'", id);
}

pawl_code pw_incident_name_read(pw_incident_name *out, const char *id, pawl_error *err)
{
    size_t len = id ? strlen(id) : 0, at = PW_ID_LENGTH + 1;
    *out = (pw_incident_name){ { id, len }, 0 };
    if (len <= at || id[PW_ID_LENGTH] != '-')
        return pw_id_check(&out->instance, id, err);
    for (; at < len && id[at] >= '0' && id[at] <= '9' && out->step <= INT64_MAX / 10 - 1; at++)
        out->step = out->step * 10 + (uint64_t)(id[at] - '0');
    if (at < len || out->step == 0 || id[PW_ID_LENGTH + 1] == '0')
        return no_incident(id, err);
    out->instance.len = PW_ID_LENGTH;
    return PAWL_OK;
}

static pw_str incident_id(const pw_incident_row *row, pw_arena *arena)
{
    return pw_arena_printf(arena, PW_FMT "-%llu", PW_ARG(row->instance),
                           (unsigned long long)row->row.sequence);
}

/* ------------------------------------------------------------------ as JSON */

static pawl_code add_incident(pw_object_builder *object, const pw_incident_row *row,
                              pawl_error *err)
{
    const pw_fault *fault = &row->row.fault;
    pw_show_text(object, "id", incident_id(row, object->arena));
    pw_show_text(object, "instance", row->instance);
    pw_show_text(object, "namespace", row->namespace_);
    pw_show_text(object, "name", row->name);
    pw_show_text(object, "version", row->version);
    pw_show_text(object, "status", pw_str_of(pw_status_name(row->status)));
    pw_show_text(object, "task", fault->task);
    pw_show_text(object, "type", fault->kind);
    pw_show_text(object, "class", fault->class_);
    pw_object_add(object, PW_LIT("attempts"), pw_int(fault->attempt));
    pw_show_text(object, "decision", fault->decision);
    pw_show_text(object, "recommendedAction", fault->action);
    pawl_code code = pw_show_json(object, "error", fault->error, err);
    pw_object_add(object, PW_LIT("open"), pw_bool(row->row.open));
    pw_show_moment(object, "createdAt", row->row.created_ms);
    pw_show_moment(object, "resolvedAt", row->row.resolved_ms);
    pw_show_text(object, "resolvedBy", row->row.resolved_by);
    pw_show_text(object, "resolution", row->row.resolution);
    return code;
}

/* ------------------------------------------------------------------ calls */

static const pw_task *task_at(const pw_program *program, pw_str pointer)
{
    for (uint32_t i = 0; program && i < program->task_count; i++)
        if (pw_str_eq(program->tasks[i]->pointer, pointer))
            return program->tasks[i];
    return NULL;
}

/* The name that the task gives, else scheme, host and port of the endpoint. Empty: none. */
static pw_str service_of(const pw_program *program, pw_str task, pw_str endpoint, pw_arena *arena)
{
    const pw_task *its = task_at(program, task);
    const pw_resilience *resilience = its ? its->resilience : NULL;
    return resilience && resilience->service.len ? resilience->service
                                                 : pw_http_service_name(arena, endpoint);
}

typedef struct calls {
    pawl *p;
    pw_str instance;
    const pw_program *program;
    pw_call_row *rows;
    size_t count;
    pw_arena *arena;
} calls;

static pawl_code add_outcome(pw_object_builder *object, const pw_call_row *row, pawl_error *err)
{
    pw_value outcome = { 0 }, error;
    pawl_code code = pw_stored_json(&outcome, row->outcome, object->arena, "outcome of a call", err);
    if (code != PAWL_OK)
        return code;
    pw_object_add(object, PW_LIT("status"), pw_get_lit(outcome, "status"));
    error = pw_get_lit(outcome, "error");
    pw_object_add(object, PW_LIT("error"), error);
    return PAWL_OK;
}

static pawl_code describe_call(const calls *c, const pw_call_row *row, pw_value *out,
                               pawl_error *err)
{
    const pw_call_intent *intent = &row->intent;
    pw_object_builder object = { .arena = c->arena };
    pw_http_place place;
    pw_str state = pw_str_of(pw_call_state_name(row->state));
    pw_str service = service_of(c->program, intent->task, intent->endpoint, c->arena);
    if (row->state == PW_CALL_PENDING && c->p->http &&
        pw_http_look(c->p->http, c->instance, intent->visit, &place, c->arena)) {
        service = place.service;
        if (place.where == PW_HTTP_SENT)
            state = PW_LIT("in-progress");
    }
    pw_show_text(&object, "task", intent->task);
    pw_object_add(&object, PW_LIT("visit"), pw_int((int64_t)intent->visit));
    pw_object_add(&object, PW_LIT("attempt"), pw_int(intent->attempt));
    pw_object_add(&object, PW_LIT("attempts"), pw_int(row->attempts));
    pw_show_text(&object, "state", state);
    pw_show_text(&object, "kind", intent->kind);
    pw_show_text(&object, "method", intent->method);
    pw_show_text(&object, "endpoint", intent->endpoint);
    pw_show_text(&object, "service", service);
    pw_show_text(&object, "idempotencyKey", intent->key);
    pw_show_moment(&object, "createdAt", row->created_ms);
    pw_show_moment(&object, "endedAt", row->ended_ms);
    if (row->ended_ms > 0)
        pw_object_add(&object, PW_LIT("durationMs"), pw_int((int64_t)row->duration_ms));
    pawl_code code = add_outcome(&object, row, err);
    *out = pw_object_end(&object);
    return code;
}

static int by_visit(const void *a, const void *b)
{
    const pw_call_row *x = a, *y = b;
    if (x->intent.visit != y->intent.visit)
        return x->intent.visit < y->intent.visit ? -1 : 1;
    return (x->created_ms > y->created_ms) - (x->created_ms < y->created_ms);
}

/* All, or those of one visit. */
static pawl_code list_calls(calls *c, const pw_fault *of, pw_value *out, pawl_error *err)
{
    pw_array_builder list = { .arena = c->arena };
    pawl_code code =
        pw_store_calls(c->p->store, c->instance, false, &c->rows, &c->count, c->arena, err);
    if (code == PAWL_OK && c->count > 1)
        qsort(c->rows, c->count, sizeof *c->rows, by_visit);
    for (size_t i = 0; i < c->count && code == PAWL_OK; i++) {
        pw_value call;
        if (of &&
            (c->rows[i].intent.visit != of->visit || !pw_str_eq(c->rows[i].intent.task, of->task)))
            continue;
        code = describe_call(c, &c->rows[i], &call, err);
        pw_array_add(&list, call);
    }
    *out = pw_array_end(&list);
    return code;
}

/* A program that is not there any more takes no answer away. */
static pawl_code program_of(pawl *p, pw_str namespace_, pw_str name, pw_str version,
                            pw_program **out, pawl_error *err)
{
    pawl_error error;
    pawl_code code =
        pw_programs_get(p->programs, p->store, namespace_, name, version, false, out, NULL, &error);
    if (code == PAWL_NOT_FOUND || code == PAWL_CORRUPT || code == PAWL_SCHEMA)
        return PAWL_OK;
    if (code != PAWL_OK && err)
        *err = error;
    return code;
}

static pawl_code give_calls(pawl *p, pw_str id, char **out, pw_program **program, pw_arena *arena,
                            pawl_error *err)
{
    pw_instance_row row = { 0 };
    pw_value list = { 0 };
    pawl_code code = pw_store_instance_get(p->store, id, false, &row, arena, err);
    if (code == PAWL_OK)
        code = program_of(p, row.namespace_, row.name, row.version, program, err);
    calls c = { .p = p, .instance = id, .program = *program, .arena = arena };
    if (code == PAWL_OK)
        code = list_calls(&c, NULL, &list, err);
    if (code != PAWL_OK)
        return pw_because(err, code, PAWL_NOT_FOUND, PAWL_REASON_NO_INSTANCE);
    const pw_member members[] = { { PW_LIT("calls"), list } };
    return pw_give_json(out, pw_object_of(arena, members, PW_LENGTH(members)), arena, err);
}

pawl_code pawl_calls(pawl *p, const char *id, char **out, pawl_error *err)
{
    pw_str instance;
    pw_program *program = NULL;
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "calls: the pawl or out is NULL");
    pawl_code code = pw_id_check(&instance, id, err);
    if (code != PAWL_OK)
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    code = give_calls(p, instance, out, &program, &arena, err);
    pw_program_unref(program);
    pw_arena_done(&arena);
    return code;
}

/* ------------------------------------------------------------------ the list */

static pawl_code read_filter(pw_incident_filter *out, bool *none,
                             const pawl_incidents_options *given, pw_arena *arena, pawl_error *err)
{
    pawl_incidents_options options;
    pw_fault_kind kind;
    pw_error_class class_;
    pawl_code code =
        pw_options_take(&options, sizeof options, given, false, "pawl_incidents_options", err);
    if (code != PAWL_OK)
        return code;
    *out = (pw_incident_filter){ .resolved = options.all != 0,
                                 .instance = pw_str_of(options.instance),
                                 .kind = pw_str_of(options.type),
                                 .class_ = pw_str_of(options.error_class),
                                 .task = pw_str_of(options.task),
                                 .after = pw_str_of(options.after) };
    pw_name_split(&out->namespace_, &out->name, options.name);
    if (out->kind.len && !pw_fault_kind_parse(&kind, out->kind))
        return pw_fail(err, PAWL_INVALID,
                       "incidents: type is startup-fault, activity-fault, external-call-fault or "
                       "resume-fault, not '%.40s'",
                       options.type);
    if (out->class_.len && !pw_error_class_parse(&class_, out->class_))
        return pw_fail(
            err, PAWL_INVALID,
            "incidents: there is no class '%.40s'; timeout, connection, server-error ...",
            options.error_class);
    code = pw_page_check(&out->limit, options.limit, "incidents", err);
    return code == PAWL_OK ? pw_names_read(&out->namespaces, &out->namespace_count, none,
                                           options.namespaces, "incidents: namespaces", arena, err)
                           : code;
}

static pawl_code list(pawl *p, const pawl_incidents_options *options, char **out, pw_arena *arena,
                      pawl_error *err)
{
    pw_incident_filter filter;
    pw_incident_row *rows = NULL;
    size_t count = 0;
    pw_str next = { 0 };
    bool none = false;
    pw_array_builder page = { .arena = arena };
    pawl_code code = read_filter(&filter, &none, options, arena, err);
    if (code == PAWL_OK && !none)
        code = pw_store_incidents(p->store, &filter, &rows, &count, &next, arena, err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++) {
        pw_object_builder object = { .arena = arena };
        code = add_incident(&object, &rows[i], err);
        pw_array_add(&page, pw_object_end(&object));
    }
    if (code != PAWL_OK)
        return code;
    pw_object_builder object = { .arena = arena };
    pw_object_add(&object, PW_LIT("incidents"), pw_array_end(&page));
    pw_show_text(&object, "next", next);
    return pw_give_json(out, pw_object_end(&object), arena, err);
}

pawl_code pawl_incidents(pawl *p, const pawl_incidents_options *options, char **out,
                         pawl_error *err)
{
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "incidents: the pawl or out is NULL");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_code code = list(p, options, out, &arena, err);
    pw_arena_done(&arena);
    return code;
}

/* ------------------------------------------------------------------ one of them */

/* The newest of the instance; *found: there is one. */
static pawl_code newest(pawl *p, pw_str instance, bool resolved, pw_incident_row *out, bool *found,
                        pw_arena *arena, pawl_error *err)
{
    const pw_incident_filter filter = { .resolved = resolved, .instance = instance, .limit = 1 };
    pw_incident_row *rows = NULL;
    size_t count = 0;
    pw_str next;
    pawl_code code = pw_store_incidents(p->store, &filter, &rows, &count, &next, arena, err);
    *found = code == PAWL_OK && count > 0;
    if (*found)
        *out = rows[0];
    return code;
}

static pawl_code find(pawl *p, const char *id, pw_incident_row *out, pw_arena *arena,
                      pawl_error *err)
{
    pw_incident_name name;
    bool found = true;
    pawl_code code = pw_incident_name_read(&name, id, err);
    if (code == PAWL_OK)
        code = name.step
                   ? pw_store_incident_get(p->store, name.instance, name.step, out, arena, err)
                   : newest(p, name.instance, true, out, &found, arena, err);
    return code == PAWL_OK && !found ? no_incident(id, err) : code;
}

/* What was given to the task, and what can be edited, as long as the incident is open: the state has it. */
static pawl_code add_data(pawl *p, pw_object_builder *object, const pw_instance_row *row,
                           const pw_fault *fault, const pw_program *program, pawl_error *err)
{
    pw_state *state = NULL;
    pawl_error error;
    const pw_payload_source payloads = pw_store_payloads(p->store, row->id);
    if (!program)
        return PAWL_OK;
    pawl_code code = pw_state_parse_branches(&state, row->state, row->branches, program, &payloads,
                                             object->arena, &error);
    if (code == PAWL_OK)
        pw_object_add(object, PW_LIT("input"), pw_state_input_of(state, fault->visit));
    if (code == PAWL_OK)
        pw_object_add(object, PW_LIT("data"), pw_state_data(state, object->arena));
    if (code == PAWL_CORRUPT || code == PAWL_SCHEMA)
        return PAWL_OK; /* pawl_show tells of it; what is here helps all the same */
    if (code != PAWL_OK && err)
        *err = error;
    return code;
}

static pawl_code add_breaker(pawl *p, pw_object_builder *object, pw_value its_calls,
                             pawl_error *err)
{
    pw_breaker_view services;
    if (its_calls.count == 0)
        return PAWL_OK;
    pw_str service = pw_get_text(pw_item(its_calls, its_calls.count - 1), "service");
    pawl_code code = pw_breaker_view_read(p, &services, object->arena, err);
    if (code == PAWL_OK && service.len)
        pw_object_add(object, PW_LIT("breaker"),
                      pw_breaker_view_find(&services, service, object->arena));
    return code;
}

static pawl_code give_incident(pawl *p, const char *id, char **out, pw_program **program,
                               pw_arena *arena, pawl_error *err)
{
    pw_incident_row row;
    pw_instance_row instance = { 0 };
    pw_value its_calls = { 0 };
    pw_object_builder object = { .arena = arena };
    pawl_code code = find(p, id, &row, arena, err);
    if (code == PAWL_OK)
        code = pw_store_instance_get(p->store, row.instance, true, &instance, arena, err);
    if (code == PAWL_OK)
        code = program_of(p, row.namespace_, row.name, row.version, program, err);
    if (code == PAWL_OK)
        code = add_incident(&object, &row, err);
    if (code != PAWL_OK)
        return code;
    const pw_task *task = task_at(*program, row.row.fault.task);
    uint64_t left = 0;
    code = pw_plan_left(p, row.instance, (pw_str){ 0 }, &left, err);
    if (code != PAWL_OK)
        return code;
    pw_object_add(&object, PW_LIT("token"), pw_int((int64_t)instance.token));
    if (left > 0)
        pw_object_add(&object, PW_LIT("undo"), pw_int((int64_t)left));
    if (task)
        pw_object_add(&object, PW_LIT("definition"), task->definition);
    if (row.row.open)
        code = add_data(p, &object, &instance, &row.row.fault, *program, err);
    calls c = { .p = p, .instance = row.instance, .program = *program, .arena = arena };
    if (code == PAWL_OK)
        code = list_calls(&c, &row.row.fault, &its_calls, err);
    pw_object_add(&object, PW_LIT("calls"), its_calls);
    if (code == PAWL_OK)
        code = add_breaker(p, &object, its_calls, err);
    return code == PAWL_OK ? pw_give_json(out, pw_object_end(&object), arena, err) : code;
}

pawl_code pawl_incident(pawl *p, const char *id, char **out, pawl_error *err)
{
    pw_program *program = NULL;
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "incident: the pawl or out is NULL");
    if (!id || !id[0])
        return pw_fail(err, PAWL_INVALID, "the incident's id is missing");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_code code = give_incident(p, id, out, &program, &arena, err);
    pw_program_unref(program);
    pw_arena_done(&arena);
    return code;
}

pawl_code pw_incident_open(pawl *p, pw_str instance, pw_value *out, pw_arena *arena,
                           pawl_error *err)
{
    pw_incident_row row;
    bool found = false;
    *out = (pw_value){ 0 };
    pawl_code code = newest(p, instance, false, &row, &found, arena, err);
    if (!found)
        return code;
    pw_object_builder object = { .arena = arena };
    pw_show_text(&object, "id", incident_id(&row, arena));
    pw_show_text(&object, "task", row.row.fault.task);
    pw_show_text(&object, "type", row.row.fault.kind);
    pw_show_text(&object, "class", row.row.fault.class_);
    pw_show_text(&object, "recommendedAction", row.row.fault.action);
    pw_show_moment(&object, "createdAt", row.row.created_ms);
    *out = pw_object_end(&object);
    return PAWL_OK;
}

/* ------------------------------------------------------------------ what is done about one */

static pawl_code is_over(const pw_incident_row *row, pw_event_kind change, pawl_error *err)
{
    return pw_fail_reason(
        err, PAWL_STATE, PAWL_REASON_NO_INCIDENT,
        "incident " PW_FMT "-%llu is over, " PW_FMT " by " PW_FMT ": there is nothing to %s",
        PW_ARG(row->instance), (unsigned long long)row->row.sequence, PW_ARG(row->row.resolution),
        PW_ARG(row->row.resolved_by), pw_event_name(change));
}

/* It was given up, or compensated, and is once more: whoever decides that knows that it is a
 * repeat, for nothing else can follow. */
static bool is_repeat(const pw_incident_row *row, pw_event_kind change)
{
    return !row->row.open &&
           ((change == PW_EVENT_FAIL && pw_str_is(row->row.resolution, "failed")) ||
            (change == PW_EVENT_CANCEL && pw_str_is(row->row.resolution, "cancelled")) ||
            (change == PW_EVENT_COMPENSATE && pw_str_is(row->row.resolution, "compensating") &&
             (row->status == PW_COMPENSATING || row->status == PW_COMPENSATED)));
}

/* The incident, and the instance's token from before it was read. */
static pawl_code read_named(pawl *p, const pw_incident_name *name, pw_incident_row *out,
                            uint64_t *token, pw_arena *arena, pawl_error *err)
{
    pw_instance_row head = { 0 };
    pawl_code code = pw_store_instance_get(p->store, name->instance, false, &head, arena, err);
    *token = head.token;
    if (code == PAWL_OK)
        return pw_store_incident_get(p->store, name->instance, name->step, out, arena, err);
    return pw_because(err, code, PAWL_NOT_FOUND, PAWL_REASON_NO_INSTANCE);
}

pawl_code pw_incident_change(pawl *p, const pw_command *command, const pw_incident_name *name,
                             pawl_code (*send)(pawl *p, pw_command *command, char **out,
                                               pawl_error *err),
                             char **out, pw_arena *arena, pawl_error *err)
{
    const pw_event_kind change = command->event.kind;
    pw_incident_row row;
    uint64_t token;
    pawl_error error;
    for (int i = 0;; i++) {
        pw_command copy = *command;
        pawl_code code = read_named(p, name, &row, &token, arena, err);
        if (code != PAWL_OK)
            return code;
        bool good = row.row.open || is_repeat(&row, change);
        if (!good && !command->once.len)
            return is_over(&row, change, err);
        if (!good) /* nothing but the answer that was given to this request before */
            copy.if_token = UINT64_MAX;
        else if (row.row.open && !command->if_token)
            copy.if_token = token;
        code = send(p, &copy, out, &error);
        bool stale = code == PAWL_CONFLICT && error.reason == PAWL_REASON_STALE_TOKEN;
        if (stale && !good)
            return is_over(&row, change, err);
        if (!stale || command->if_token || i == CHANGE_TRIES) {
            if (code != PAWL_OK && err)
                *err = error;
            return code;
        }
    }
}
