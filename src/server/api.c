/* api.c - a request becomes a command, its answer the response.
 *
 * A turn of an exchange runs on a thread of the listener with an arena of its own, which is gone
 * when the turn is over: what a parked exchange needs is copied (api_wait.c). Everything that is
 * not done ends in one problem document, here. */
#include <stdio.h>
#include <sys/random.h>
#include "server/api_internal.h"

/* ---- answers */

void pw_call_put_correlation(pw_call *call, pw_str id)
{
    if (!call->correlated && id.len)
        call->correlated = pw_exchange_put(call->exchange, "X-Correlation-ID", id);
}

void pw_call_put_request_id(pw_call *call)
{
    char id[48];
    (void)snprintf(id, sizeof id, "%s-%llu", call->api->prefix,
                   (unsigned long long)pw_exchange_number(call->exchange));
    pw_call_put_correlation(call, pw_str_of(id));
}

/* ---- what is counted, logged and traced of a request: its method, its route and what came of it */

typedef struct span {
    char own[56], above[56]; /* traceparents */
} span;

void pw_call_begin_span(pw_call *call)
{
    span *s = pw_arena_zalloc(pw_exchange_arena(call->exchange), sizeof *s);
    if (!s)
        return; /* it is not traced */
    if (call->traceparent.len < sizeof s->above && call->traceparent.len)
        memcpy(s->above, call->traceparent.ptr, call->traceparent.len);
    if (!pawl_trace_begin(call->api->p, s->above, s->own))
        return;
    *pw_exchange_span(call->exchange) = s;
    call->traceparent = pw_str_of(s->own);
}

static void note_answer(pw_call *call, unsigned status)
{
    pw_exchange *exchange = call->exchange;
    const char *label = *pw_exchange_label(exchange), *level = status >= 500 ? "warning" : "debug";
    const span *s = *pw_exchange_span(exchange);
    const uint64_t age_us = pw_exchange_age_us(exchange);
    pawl_served(call->api->p, label ? label : "none", (int)status, age_us);
    const bool logged = pawl_logging_wants(level, "server");
    if (!logged && !(s && label))
        return;
    const pw_str method = pw_exchange_method_name(exchange);
    char fields[256], message[128];
    (void)snprintf(fields, sizeof fields, "{\"request\":\"%s-%llu\",\"route\":\"%s\",\"status\":%u,\"durationUs\":%llu}", call->api->prefix,
                   (unsigned long long)pw_exchange_number(exchange), label ? label : "none", status, (unsigned long long)age_us);
    (void)snprintf(message, sizeof message, "%.*s %s: %u", (int)(method.len < 16 ? method.len : 16), method.ptr, label ? label : "none", status);
    if (logged)
        pawl_logging_line(level, "server", status >= 500 ? "request.failed" : "request.answered", NULL, message, fields);
    if (!s || !label)
        return;
    (void)snprintf(fields, sizeof fields, "{\"http.request.method\":\"%.*s\",\"http.route\":\"%s\",\"http.response.status_code\":%u}",
                   (int)(method.len < 16 ? method.len : 16), method.ptr, label, status);
    pawl_trace_end(call->api->p, s->own, s->above, "server", label, age_us, status >= 500, fields);
}

void pw_call_answer(pw_call *call, unsigned status, const char *type, pw_str body)
{
    pw_call_put_request_id(call);
    (void)pw_exchange_put(call->exchange, "Cache-Control", PW_LIT("no-store"));
    (void)pw_exchange_put(call->exchange, "X-Content-Type-Options", PW_LIT("nosniff"));
    if (status == 503 || status == 429)
        (void)pw_exchange_put(call->exchange, "Retry-After", PW_LIT("1"));
    note_answer(call, status);
    pw_exchange_answer(call->exchange, status, type, body);
}

void pw_call_answer_json(pw_call *call, unsigned status, pw_str json)
{
    pw_call_answer(call, status, "application/json", json);
}

bool pw_call_answer_buf(pw_call *call, unsigned status, pw_buf *json)
{
    bool made = !json->failed;
    if (made)
        pw_call_answer_json(call, status, pw_buf_view(json));
    pw_buf_done(json);
    return made ? true : pw_call_no_memory(call);
}

bool pw_call_no_memory(pw_call *call)
{
    pawl_error err;
    (void)pw_no_memory(&err);
    return pw_problem_of(&call->problem, &err);
}

void pw_call_put_token(pw_call *call, pw_str token)
{
    char tag[32];
    if (!token.ptr || token.len == 0 || token.ptr[0] < '0' || token.ptr[0] > '9')
        return;
    (void)snprintf(tag, sizeof tag, "\"" PW_FMT "\"", PW_ARG(token));
    (void)pw_exchange_put(call->exchange, "ETag", pw_str_of(tag));
}

void pw_call_put_location(pw_call *call, const char *prefix, const pw_str *segments, size_t count)
{
    pw_buf buf;
    pw_buf_init(&buf, 4096);
    pw_buf_text(&buf, prefix);
    for (size_t i = 0; i < count; i++) {
        pw_buf_char(&buf, '/');
        pw_percent_encode(&buf, segments[i]);
    }
    if (!buf.failed)
        (void)pw_exchange_put(call->exchange, "Location", pw_buf_view(&buf));
    pw_buf_done(&buf);
}

void pw_call_answer_problem(pw_call *call)
{
    pw_problem *problem = &call->problem;
    if (problem->has_token) {
        char token[24];
        (void)snprintf(token, sizeof token, "%llu", (unsigned long long)problem->token);
        pw_call_put_token(call, pw_str_of(token));
    }
    if (problem->status == 401)
        (void)pw_exchange_put(call->exchange, "WWW-Authenticate", PW_LIT("Bearer realm=\"pawl\""));
    pw_str text = pw_problem_text(problem, pw_exchange_path(call->exchange), call->findings,
                                  call->as_command, call->arena);
    if (text.ptr)
        pw_call_answer(call, problem->status, "application/problem+json", text);
    else
        pw_call_answer(call, 503, NULL, (pw_str){ 0 });
}

/* ---- one call */

static bool allowed(pw_call *call)
{
    pw_str allow = pw_route_allowed(call->at.allowed | PW_BIT(PW_OPTIONS), call->arena);
    if (allow.ptr)
        (void)pw_exchange_put(call->exchange, "Allow", allow);
    if (pw_exchange_method(call->exchange) != PW_OPTIONS)
        return pw_problem_http(&call->problem, PW_PROBLEM_METHOD,
                               "'" PW_FMT "' is no method of this path",
                               PW_ARG(pw_exchange_method_name(call->exchange)));
    pw_call_answer(call, 204, NULL, (pw_str){ 0 });
    return true;
}

static bool identify(pw_call *call)
{
    pw_exchange *exchange = call->exchange;
    if (call->api->authenticate)
        return pw_identity_of_header(&call->identity, call->api->p,
                                     pw_exchange_header(exchange, "Authorization"), call->arena,
                                     &call->problem);
    call->identity = pw_identity_anonymous(call->arena);
    if (pw_origin_allowed(pw_exchange_header(exchange, "Host"),
                          pw_exchange_header(exchange, "Origin"), call->api->local_only))
        return true;
    return pw_problem_http(&call->problem, PW_PROBLEM_ORIGIN,
                           "this server asks nobody who he is, and so takes no requests by way of "
                           "another host's page or name");
}

static bool run(pw_call *call)
{
    pw_exchange *exchange = call->exchange;
    if (!pw_call_headers(call))
        return false;
    if (!pw_route_find(&call->at, pw_exchange_method(exchange), pw_exchange_path(exchange),
                       call->arena, &call->problem))
        return false;
    call->route = call->at.route;
    if (!call->route)
        return allowed(call);
    *pw_exchange_label(exchange) = call->route->operation;
    call->as_command = call->route->run == pw_api_command;
    if (!call->route->open && !identify(call))
        return false;
    return pw_call_path(call) && pw_call_query(call) && pw_call_body(call) &&
           call->route->run(call);
}

void pw_api_handle(void *context, pw_exchange *exchange, pw_turn turn)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_call call = { .api = context, .exchange = exchange, .arena = &arena };
    call.members.arena = call.namespaces.arena = &arena;
    if (turn != PW_TURN_FIRST)
        pw_wait_turn(&call, turn);
    else if (!run(&call))
        pw_call_answer_problem(&call);
    pawl_free(call.answer);
    pw_arena_done(&arena);
}

/* ---- opening and closing */

/* Whether each address of "A,B,..." is reached from this machine only. */
static bool all_loopback(const char *listen)
{
    pw_str rest = pw_str_of(listen);
    while (rest.len) {
        const char *comma = memchr(rest.ptr, ',', rest.len);
        pw_str one = { rest.ptr, comma ? (size_t)(comma - rest.ptr) : rest.len };
        while (one.len && one.ptr[0] == ' ')
            one.ptr++, one.len--;
        if (one.len && !pw_address_is_loopback(one))
            return false;
        size_t used = (size_t)(one.ptr - rest.ptr) + one.len + (comma ? 1 : 0);
        rest = (pw_str){ rest.ptr + used, rest.len - used };
    }
    return true;
}

static pawl_code prepare(pw_api *api, pawl_error *err)
{
    const char *listen = pawl_config_string(api->config, "Server:Listen");
    bool loopback = all_loopback(listen);
    uint8_t random[8];
    api->authenticate = pawl_config_flag(api->config, "Server:Authentication");
    api->local_only = !api->authenticate && loopback;
    if (!api->authenticate && !loopback && !pawl_config_flag(api->config, "Server:Insecure"))
        return pw_fail(err, PAWL_INVALID,
                       "'%s' is reached from other machines, and without Server:Authentication "
                       "whoever reaches it may do "
                       "everything: set it, listen on 127.0.0.1, or say Server:Insecure",
                       listen);
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return pw_fail(err, PAWL_IO, "the system gives no random bytes");
    for (size_t i = 0; i < sizeof random; i++)
        (void)snprintf(api->prefix + 2 * i, 3, "%02x", random[i]);
    api->openapi = pw_openapi();
    return api->openapi ? PAWL_OK : pw_no_memory(err);
}

pawl_code pw_api_new(pw_api **out, pawl *p, const pawl_config *config, pawl_error *err)
{
    pw_api *api = pw_zalloc(sizeof *api);
    if (!api)
        return pw_no_memory(err);
    api->p = p;
    api->config = config;
    pawl_code code = prepare(api, err);
    if (code != PAWL_OK) {
        pw_api_free(api);
        return code;
    }
    *out = api;
    return PAWL_OK;
}

void pw_api_free(pw_api *api)
{
    if (!api)
        return;
    pawl_free(api->openapi);
    pw_free(api);
}

void pw_api_stopping(pw_api *api)
{
    api->stopping = true;
}
