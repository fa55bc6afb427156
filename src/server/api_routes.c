/* api_routes.c - what is particular to a route: how the answer of its command is given over HTTP.
 */
#include <stdio.h>
#include "server/api_internal.h"

/* ---- any */

/* The link to the next page: the same query, from "next" on. */
static void put_next(pw_call *call)
{
    pw_str next = pw_skim_text(call->ok, "next");
    pw_str rest = pw_exchange_query(call->exchange), name, value;
    pw_buf link;
    if (!next.len)
        return;
    pw_buf_init(&link, 8192);
    pw_buf_char(&link, '<');
    pw_buf_str(&link, pw_exchange_path(call->exchange));
    pw_buf_char(&link, '?');
    while (pw_query_next(&rest, &name, &value)) {
        if (pw_str_is(name, "after"))
            continue;
        pw_buf_str(&link, name);
        pw_buf_char(&link, '=');
        pw_buf_str(&link, value);
        pw_buf_char(&link, '&');
    }
    pw_buf_text(&link, "after=");
    pw_percent_encode(&link, next);
    pw_buf_text(&link, ">; rel=\"next\"");
    if (!link.failed)
        (void)pw_exchange_put(call->exchange, "Link", pw_buf_view(&link));
    pw_buf_done(&link);
}

static bool answer_ok(pw_call *call, unsigned status)
{
    if (call->about->scope == PW_SCOPE_INSTANCE)
        pw_call_put_token(call, pw_skim(call->ok, "token"));
    if (call->about->scope == PW_SCOPE_LIST)
        put_next(call);
    if (status == 204)
        pw_call_answer(call, 204, NULL, (pw_str){ 0 });
    else
        pw_call_answer_json(call, status, call->ok);
    return true;
}

bool pw_api_run(pw_call *call)
{
    return pw_call_execute(call, call->route->command) && answer_ok(call, call->route->status);
}

/* ---- the server itself */

bool pw_api_live(pw_call *call)
{
    pw_call_answer_json(call, 200, PW_LIT("{\"status\":\"live\"}"));
    return true;
}

bool pw_api_ready(pw_call *call)
{
    pawl_error err = { .code = PAWL_OK };
    if (call->api->stopping)
        return pw_problem_http(&call->problem, PW_PROBLEM_STOPPING, "the server stops");
    if (pawl_health(call->api->p, &err) != PAWL_OK)
        return pw_problem_http(&call->problem, PW_PROBLEM_NOT_READY, "%s", err.message);
    pw_call_answer_json(call, 200, PW_LIT("{\"status\":\"ready\"}"));
    return true;
}

bool pw_api_openapi(pw_call *call)
{
    if (!pw_call_authorise(call, call->route->command))
        return false;
    pw_call_answer_json(call, 200, pw_str_of(call->api->openapi));
    return true;
}

/* The type that Prometheus asks for. Whatever else is accepted, there is no other. */
bool pw_api_metrics(pw_call *call)
{
    pawl_error err;
    char *text = NULL;
    if (!pw_call_authorise(call, call->route->command))
        return false;
    if (pawl_metrics(call->api->p, &text, &err) != PAWL_OK)
        return pw_problem_of(&call->problem, &err);
    pw_call_answer(call, 200, "text/plain; version=0.0.4; charset=utf-8", pw_str_of(text));
    pawl_free(text);
    return true;
}

/* ---- definitions */

/* The answer of a command, with the findings in it. */
static bool answer_with_findings(pw_call *call, unsigned status, pw_str object)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_add(&buf, object.ptr, object.len - 1); /* '}' */
    pw_buf_text(&buf, ",\"findings\":");
    pw_buf_str(&buf, call->findings.ptr ? call->findings : PW_LIT("[]"));
    pw_buf_char(&buf, '}');
    return pw_call_answer_buf(call, status, &buf);
}

bool pw_api_deploy(pw_call *call)
{
    if (!pw_call_execute(call, call->route->command))
        return false;
    const pw_str segments[] = { pw_skim_text(call->ok, "namespace"), pw_skim_text(call->ok, "name"),
                                pw_skim_text(call->ok, "version") };
    bool created = pw_str_is(pw_skim(call->ok, "created"), "true");
    pw_call_put_location(call, "/v1/definitions", segments, PW_LENGTH(segments));
    return answer_with_findings(call, created ? 201 : 200, call->ok);
}

bool pw_api_validate(pw_call *call)
{
    if (pw_call_execute(call, call->route->command))
        return answer_with_findings(call, 200, PW_LIT("{\"valid\":true}"));
    return call->findings.ptr ? answer_with_findings(call, 200, PW_LIT("{\"valid\":false}"))
                              : false;
}

/* The text of a member "text", which needs its escapes undone. */
static bool answer_text(pw_call *call, const char *member, const char *type)
{
    pw_value text = { 0 };
    pawl_error err;
    if (pw_json_parse(&text, pw_skim(call->ok, member), &(pw_json_limits){ .bytes = SIZE_MAX },
                      call->arena, &err) != PAWL_OK)
        return pw_problem_of(&call->problem, &err);
    pw_call_answer(call, 200, type, pw_text(text));
    return true;
}

bool pw_api_graph(pw_call *call)
{
    pw_str rest = pw_exchange_query(call->exchange), name, value, format = { 0 };
    while (pw_query_next(&rest, &name, &value))
        if (pw_str_is(name, "format"))
            format = value;
    if (!pw_call_execute(call, call->route->command))
        return false;
    if (pw_str_is(format, "mermaid"))
        return answer_text(call, "text", "text/vnd.mermaid; charset=utf-8");
    if (pw_str_is(format, "dot"))
        return answer_text(call, "text", "text/vnd.graphviz; charset=utf-8");
    return answer_ok(call, 200);
}

static bool accepts(pw_call *call, const char *type)
{
    pw_str accept = pw_exchange_header(call->exchange, "Accept");
    return accept.ptr && memmem(accept.ptr, accept.len, type, strlen(type));
}

/* JSON, unless only the text is asked for. */
bool pw_api_definition(pw_call *call)
{
    if (!pw_call_execute(call, call->route->command))
        return false;
    if (accepts(call, "application/json"))
        return answer_ok(call, 200);
    if (accepts(call, "yaml"))
        return answer_text(call, "document", "application/yaml");
    if (accepts(call, "text/plain"))
        return answer_text(call, "document", "text/plain; charset=utf-8");
    return answer_ok(call, 200);
}

/* ---- instances */

bool pw_api_start(pw_call *call)
{
    if (!pw_call_execute(call, call->route->command))
        return false;
    pw_str id = pw_arena_str(call->arena, pw_skim_text(call->ok, "id"));
    bool existed = pw_str_is(pw_skim(call->ok, "existed"), "true");
    if (!id.ptr)
        return pw_call_no_memory(call);
    pw_call_put_correlation(call, id); /* without another it is the instance's own */
    pw_call_put_location(call, "/v1/instances", &id, 1);
    return pw_wait_start(call, id, call->ok, existed);
}

/* The new one has a path, as what is started; a dry run makes none. */
bool pw_api_fork(pw_call *call)
{
    if (!pw_call_execute(call, call->route->command))
        return false;
    if (pw_str_is(pw_skim(call->ok, "dryRun"), "true"))
        return answer_ok(call, 200);
    pw_str id = pw_skim_text(call->ok, "id");
    pw_call_put_location(call, "/v1/instances", &id, 1);
    pw_call_answer_json(call, 201, call->ok);
    return true;
}

/* The three that look at an instance, and may wait before they do. */
static bool look_at(pw_call *call, pw_value *request, pw_str *id)
{
    if (!pw_call_authorise(call, call->route->command))
        return false;
    *request = pw_object_end(&call->members);
    *id = pw_get_text(*request, "id");
    return true;
}

bool pw_api_show(pw_call *call)
{
    pw_value request;
    pw_str id;
    return look_at(call, &request, &id) && pw_wait_show(call, id);
}

bool pw_api_output(pw_call *call)
{
    pw_value request;
    pw_str id;
    return look_at(call, &request, &id) && pw_wait_output(call, id);
}

bool pw_api_log(pw_call *call)
{
    pw_value request;
    pw_str id;
    return look_at(call, &request, &id) && pw_wait_log(call, id, request);
}

/* Of an instance that is there: else an empty list would say that it waits for nothing. */
bool pw_api_bookmarks(pw_call *call)
{
    pw_object_builder members = call->members;
    call->members = (pw_object_builder){ .arena = call->arena };
    pw_call_member(call, "id", pw_string_ref(call->at.values[0]));
    if (!pw_call_authorise(call, "head"))
        return false;
    call->members = members;
    return pw_api_run(call);
}

/* ---- messages, jobs, tokens */

bool pw_api_poll(pw_call *call)
{
    return pw_call_authorise(call, call->route->command) &&
           pw_wait_poll(call, pw_object_end(&call->members));
}

enum { MANY_MAX = 100 };

static bool check_many(pw_call *call, pw_value items)
{
    if (items.count == 0 || items.count > MANY_MAX)
        return pw_problem_http(&call->problem, PW_PROBLEM_BAD_BODY,
                               "an array must have 1 to %d items", MANY_MAX);
    if (call->idempotency_key.ptr)
        return pw_problem_http(&call->problem, PW_PROBLEM_BAD_HEADER,
                               "Idempotency-Key is of one request, not of several; a job's token "
                               "is enough to repeat it");
    for (uint32_t i = 0; i < items.count; i++)
        if (!pw_is(pw_item(items, i), PW_OBJECT))
            return pw_problem_http(&call->problem, PW_PROBLEM_BAD_BODY,
                                   "item %u of the array must be an object", i + 1);
    return true;
}

/* Why the identity may not send the item; ptr NULL: it may. */
static pw_str refusal_of(pw_call *call, const char *command, pw_value item)
{
    call->members = (pw_object_builder){ .arena = call->arena };
    call->problem = (pw_problem){ 0 };
    if (pw_call_take_members(call, item) && pw_call_authorise(call, command))
        return (pw_str){ 0 };
    pw_buf error;
    pw_buf_init(&error, 0);
    pw_problem_error(&call->problem, &error);
    pw_str text = error.failed ? pw_arena_str(call->arena, PW_LIT("{}"))
                               : pw_arena_str(call->arena, pw_buf_view(&error));
    call->problem = (pw_problem){ 0 };
    pw_buf_done(&error);
    return text;
}

/* Those that may be asked go as one command, which answers each. */
static bool carry_out_many(pw_call *call, pw_value jobs, pw_value *answers)
{
    pawl_error err;
    *answers = (pw_value){ 0 };
    if (jobs.count == 0)
        return true;
    call->members = (pw_object_builder){ .arena = call->arena };
    pw_value request = pw_object_of(call->arena, (pw_member[]){ { PW_LIT("jobs"), jobs } }, 1);
    if (!pw_call_sign(call, request) || !pw_call_carry_out(call))
        return false;
    if (pw_json_parse(answers, call->ok, &(pw_json_limits){ .bytes = SIZE_MAX }, call->arena,
                      &err) != PAWL_OK)
        return pw_problem_of(&call->problem, &err);
    return true;
}

/* One that is refused does not keep the others. */
static bool answer_many(pw_call *call, const char *command, pw_value items)
{
    pw_str refused[MANY_MAX];
    pw_array_builder allowed = { .arena = call->arena };
    pw_value answers;
    if (!check_many(call, items))
        return false;
    for (uint32_t i = 0; i < items.count; i++) {
        refused[i] = refusal_of(call, command, pw_item(items, i));
        if (!refused[i].ptr)
            pw_array_add(&allowed, pw_item(items, i));
    }
    if (call->arena->failed)
        return pw_call_no_memory(call);
    if (!carry_out_many(call, pw_array_end(&allowed), &answers))
        return false;
    pw_buf all;
    pw_buf_init(&all, 0);
    pw_buf_text(&all, call->as_command ? "{\"ok\":[" : "[");
    for (uint32_t i = 0, at = 0; i < items.count; i++) {
        pw_buf_text(&all, i ? "," : "");
        if (refused[i].ptr)
            pw_buf_printf(&all, "{\"error\":" PW_FMT "}", PW_ARG(refused[i]));
        else
            pw_json_write(&all, pw_item(answers, at++), PW_JSON_COMPACT);
    }
    pw_buf_text(&all, call->as_command ? "]}" : "]");
    return pw_call_answer_buf(call, 200, &all);
}

bool pw_api_many(pw_call *call)
{
    return pw_is(call->body, PW_ARRAY) ? answer_many(call, call->route->command, call->body)
                                       : pw_api_run(call);
}

bool pw_api_token_create(pw_call *call)
{
    if (!pw_call_execute(call, call->route->command))
        return false;
    pw_str id = pw_skim_text(call->ok, "id");
    pw_call_put_location(call, "/v1/tokens", &id, 1);
    pw_call_answer_json(call, 201, call->ok);
    return true;
}

/* ---- commands */

/* The command as it travels between processes. What would wait is parked, like everything else. */
bool pw_api_command(pw_call *call)
{
    pw_value name = pw_get_lit(call->body, "command");
    if (!pw_is(name, PW_STRING))
        return pw_problem_http(&call->problem, PW_PROBLEM_BAD_BODY,
                               "'command' must be a command's name, as a string");
    pw_str text = pw_arena_str(call->arena, pw_text(name));
    if (!text.ptr)
        return pw_call_no_memory(call);
    const pw_command_about *about = pw_command_find(text);
    pw_value jobs = pw_get_lit(call->body, "jobs");
    if (about && about->scope == PW_SCOPE_JOB && pw_is(jobs, PW_ARRAY))
        return answer_many(call, about->name, jobs);
    if (!pw_call_authorise(call, text.ptr))
        return false;
    bool polls = pw_str_is(text, "poll");
    if (polls || pw_str_is(text, "wait")) {
        pw_value request = pw_object_end(&call->members);
        return polls ? pw_wait_poll(call, request) : pw_wait_command(call, request);
    }
    if (!pw_call_carry_out(call))
        return false;
    if (call->about->scope == PW_SCOPE_INSTANCE)
        pw_call_put_token(call, pw_skim(call->ok, "token"));
    pw_call_answer_json(call, 200, pw_str_of(call->answer));
    return true;
}
