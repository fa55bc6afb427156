/* api_request.c - what was asked over HTTP becomes a command: its members from path, query, headers
 * and body; who asks from the token; what it is restricted to from the roles. Whatever is not known
 * is refused: a misspelt filter must not list everything. */
#include <stdio.h>
#include "server/api_internal.h"
#include "base/moment.h"
#include "base/near.h"

enum { HEADER_TEXT_MAX = 255, QUERY_NAMES_MAX = 16 };

void pw_call_member(pw_call *call, const char *name, pw_value value)
{
    pw_object_add(&call->members, pw_str_of(name), value);
}

/* ---- headers */

static bool printable(pw_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x21 || text.ptr[i] > 0x7e)
            return false;
    return true;
}

/* A header of one word; absent: *out has no ptr. */
static bool word_header(pw_call *call, const char *name, pw_str *out)
{
    *out = pw_exchange_header(call->exchange, name);
    if (!out->ptr || (out->len && out->len <= HEADER_TEXT_MAX && printable(*out)))
        return true;
    return pw_problem_http(&call->problem, PW_PROBLEM_BAD_HEADER,
                           "%s must be 1 to %d printable characters without spaces", name,
                           HEADER_TEXT_MAX);
}

static bool is_hex(pw_str text, size_t from, size_t count, bool *zero)
{
    *zero = true;
    for (size_t i = from; i < from + count; i++) {
        char c = text.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        *zero = *zero && c == '0';
    }
    return true;
}

/* W3C Trace Context: 00-TRACE-SPAN-FLAGS; later versions may have more behind it. */
static bool is_traceparent(pw_str text)
{
    bool version_zero, zero;
    if (text.len < 55 || text.ptr[2] != '-' || text.ptr[35] != '-' || text.ptr[52] != '-')
        return false;
    if (!is_hex(text, 0, 2, &version_zero) || (text.ptr[0] == 'f' && text.ptr[1] == 'f'))
        return false;
    if (text.len > 55 && (version_zero || text.ptr[55] != '-'))
        return false;
    if (!is_hex(text, 3, 32, &zero) || zero || !is_hex(text, 36, 16, &zero) || zero)
        return false;
    return is_hex(text, 53, 2, &zero);
}

static bool if_match(pw_call *call)
{
    pw_str header = pw_exchange_header(call->exchange, "If-Match");
    if (!header.ptr || pw_str_is(header, "*"))
        return true;
    uint64_t token = 0;
    bool quoted = header.len > 2 && header.len < 22 && header.ptr[0] == '"' &&
                  header.ptr[header.len - 1] == '"';
    for (size_t i = 1; quoted && i + 1 < header.len; i++) {
        quoted = header.ptr[i] >= '0' && header.ptr[i] <= '9';
        token = 10 * token + (uint64_t)(header.ptr[i] - '0');
    }
    call->if_token = token;
    if (quoted && token > 0 && token <= INT64_MAX)
        return true;
    return pw_problem_http(
        &call->problem, PW_PROBLEM_BAD_HEADER,
        "If-Match must be one ETag as this server gives them: a token in quotes, like \"7\"");
}

bool pw_call_headers(pw_call *call)
{
    if (!word_header(call, "X-Correlation-ID", &call->correlation))
        return false;
    if (call->correlation.ptr)
        pw_call_put_correlation(call, call->correlation);
    if (!word_header(call, "Idempotency-Key", &call->idempotency_key) ||
        !word_header(call, "traceparent", &call->traceparent) || !if_match(call))
        return false;
    if (call->traceparent.ptr && !is_traceparent(call->traceparent))
        return pw_problem_http(
            &call->problem, PW_PROBLEM_BAD_HEADER,
            "traceparent is not of the form 00-TRACE-SPAN-FLAGS (W3C Trace Context)");
    pw_call_begin_span(call);
    if (call->traceparent.ptr)
        (void)pw_exchange_put(call->exchange, "traceparent", call->traceparent);
    return true;
}

/* ---- path */

bool pw_call_path(pw_call *call)
{
    pw_str namespace_ = { 0 };
    for (size_t i = 0; i < call->at.count; i++) {
        pw_str name = call->at.names[i], value = call->at.values[i];
        if (pw_str_is(name, "namespace")) {
            namespace_ = value;
        } else if (namespace_.ptr && pw_str_is(name, "name")) {
            if (memchr(namespace_.ptr, '/', namespace_.len) || memchr(value.ptr, '/', value.len))
                return pw_problem_http(&call->problem, PW_PROBLEM_NO_ROUTE,
                                       "no namespace and no name has a '/'");
            pw_str both =
                pw_arena_printf(call->arena, PW_FMT "/" PW_FMT, PW_ARG(namespace_), PW_ARG(value));
            pw_object_add(&call->members, name, pw_string_ref(both));
        } else {
            pw_object_add(&call->members, name, pw_string_ref(value));
        }
    }
    return true;
}

/* ---- query */

static bool refuse_parameter(pw_call *call, pw_str name)
{
    const char *names[QUERY_NAMES_MAX];
    char text[64];
    size_t count = 0;
    for (const pw_query *q = call->route->query; q && q->name && count < QUERY_NAMES_MAX; q++)
        names[count++] = q->name;
    (void)snprintf(text, sizeof text, PW_FMT, PW_ARG(name));
    const char *near = pw_near(text, names, count);
    if (near)
        return pw_problem_http(&call->problem, PW_PROBLEM_UNKNOWN_PARAMETER,
                               "this path knows no parameter '%s'; did you mean '%s'?", text, near);
    return pw_problem_http(&call->problem, PW_PROBLEM_UNKNOWN_PARAMETER,
                           "this path knows no parameter '%s'", text);
}

static bool bad_parameter(pw_call *call, const pw_query *q, const char *wanted)
{
    return pw_problem_http(&call->problem, PW_PROBLEM_BAD_PARAMETER, "'%s' must be %s", q->name,
                           wanted);
}

/* Whether text is one of "a|b|c". */
static bool one_of(pw_str text, const char *values)
{
    pw_str rest = pw_str_of(values);
    while (rest.len) {
        const char *bar = memchr(rest.ptr, '|', rest.len);
        pw_str one = { rest.ptr, bar ? (size_t)(bar - rest.ptr) : rest.len };
        if (pw_str_eq(one, text))
            return true;
        size_t used = one.len + (bar ? 1 : 0);
        rest = (pw_str){ rest.ptr + used, rest.len - used };
    }
    return false;
}

static bool take_wait(pw_call *call, const pw_query *q, pw_str text)
{
    pw_duration wait;
    pawl_error err;
    uint64_t most = pawl_config_duration_ms(call->api->config, "Server:MaxWait");
    if (pw_duration_parse(&wait, text, &err) != PAWL_OK || wait.months)
        return bad_parameter(call, q, "a duration, like 30s or PT30S");
    call->waits = true;
    call->wait_ms = wait.ms < most ? wait.ms : most;
    return true;
}

/* name=value into the object that the labels before it made. */
static bool take_label(pw_call *call, const pw_query *q, pw_str text, pw_value *labels)
{
    const char *equals = memchr(text.ptr, '=', text.len);
    if (!equals || equals == text.ptr)
        return bad_parameter(call, q, "name=value");
    pw_str name = { text.ptr, (size_t)(equals - text.ptr) };
    pw_str value = { equals + 1, text.len - name.len - 1 };
    if (pw_find(*labels, name))
        return pw_problem_http(&call->problem, PW_PROBLEM_BAD_PARAMETER,
                               "the label '" PW_FMT "' is given twice", PW_ARG(name));
    *labels = pw_with(call->arena, *labels, name, pw_string_ref(value));
    return true;
}

static bool take_number(pw_call *call, const pw_query *q, pw_str text, pw_value *out)
{
    int64_t n = 0;
    if (text.len == 0 || text.len > 18)
        return bad_parameter(call, q, "a whole number");
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return bad_parameter(call, q, "a whole number");
        n = 10 * n + (text.ptr[i] - '0');
    }
    *out = pw_int(n);
    return true;
}

typedef struct collected {
    pw_value one[QUERY_NAMES_MAX]; /* by the place of the parameter in the route's table */
    pw_array_builder many[QUERY_NAMES_MAX];
} collected;

static bool take_parameter(pw_call *call, const pw_query *q, pw_str text, collected *all)
{
    size_t at = (size_t)(q - call->route->query);
    pw_value *one = &all->one[at];
    bool repeatable =
        q->kind == PW_QUERY_LABEL || q->kind == PW_QUERY_LIST || q->kind == PW_QUERY_NAMESPACES;
    if (!repeatable && (!pw_is(*one, PW_NONE) || (q->kind == PW_QUERY_WAIT && call->waits)))
        return pw_problem_http(&call->problem, PW_PROBLEM_BAD_PARAMETER, "'%s' is given twice",
                               q->name);
    if (q->values && !one_of(text, q->values))
        return pw_problem_http(&call->problem, PW_PROBLEM_BAD_PARAMETER,
                               "'%s' must be one of %s, not '%.*s'", q->name, q->values,
                               (int)(text.len < 80 ? text.len : 80), text.ptr);
    switch (q->kind) {
    case PW_QUERY_TEXT:
        *one = pw_string_ref(text);
        return true;
    case PW_QUERY_NUMBER:
        return take_number(call, q, text, one);
    case PW_QUERY_FLAG:
        *one = pw_bool(pw_str_is(text, "true"));
        return true;
    case PW_QUERY_LABEL:
        return take_label(call, q, text, one);
    case PW_QUERY_LIST:
        pw_array_add(&all->many[at], pw_string_ref(text));
        return true;
    case PW_QUERY_NAMESPACES:
        pw_array_add(&call->namespaces, pw_string_ref(text));
        return true;
    case PW_QUERY_WAIT:
        return take_wait(call, q, text);
    }
    return false;
}

bool pw_call_query(pw_call *call)
{
    pw_str rest = pw_exchange_query(call->exchange), name, value;
    collected all = { 0 };
    for (size_t i = 0; i < QUERY_NAMES_MAX; i++)
        all.many[i].arena = call->arena;
    while (pw_query_next(&rest, &name, &value)) {
        name = pw_percent_decoded(call->arena, name, true);
        value = pw_percent_decoded(call->arena, value, true);
        if (!name.ptr || !value.ptr)
            return pw_problem_http(&call->problem, PW_PROBLEM_BAD_PARAMETER,
                                   "the query is not percent-encoded UTF-8");
        const pw_query *q = call->route->query;
        while (q && q->name && !pw_str_is(name, q->name))
            q++;
        if (!q || !q->name)
            return refuse_parameter(call, name);
        if (!take_parameter(call, q, value, &all))
            return false;
    }
    for (const pw_query *q = call->route->query; q && q->name; q++) {
        size_t at = (size_t)(q - call->route->query);
        pw_value v = all.many[at].count ? pw_array_end(&all.many[at]) : all.one[at];
        pw_call_member(call, q->member ? q->member : q->name, v);
    }
    return true;
}

/* ---- body */

static bool refuse_member(pw_call *call, pw_str name)
{
    return pw_problem_http(&call->problem, PW_PROBLEM_BAD_BODY,
                           "'" PW_FMT "' cannot be said in the body: %s", PW_ARG(name),
                           pw_str_is(name, "idempotencyKey") ? "send the header Idempotency-Key"
                           : pw_str_is(name, "ifToken")      ? "send the header If-Match"
                           : pw_str_is(name, "correlation")  ? "send the header X-Correlation-ID"
                           : pw_str_is(name, "traceparent")
                               ? "send the header traceparent"
                               : "it comes from the path, or from who asks");
}

/* Of lists it is what is looked for, not what the request is known by. */
bool pw_call_filters_correlation(pw_str command)
{
    return pw_str_is(command, "list") || pw_str_is(command, "count");
}

bool pw_call_take_members(pw_call *call, pw_value object)
{
    const pw_member *members = pw_members(object);
    bool filters = call->as_command && pw_call_filters_correlation(pw_get_text(object, "command"));
    for (uint32_t i = 0; i < object.count; i++) {
        pw_str name = members[i].key;
        bool said = pw_command_request_member(name) && !(filters && pw_str_is(name, "correlation"));
        for (size_t m = 0; m < call->members.count && !said; m++)
            said = pw_str_eq(name, call->members.members[m].key);
        if (said || (!call->as_command && pw_str_is(name, "command")))
            return refuse_member(call, name);
        if (!pw_str_is(name, "command"))
            pw_object_add(&call->members, name, members[i].value);
    }
    return true;
}

/* The type without parameters: "application/json". */
pw_str pw_call_media_type(pw_call *call)
{
    pw_str type = pw_exchange_header(call->exchange, "Content-Type");
    size_t n = 0;
    while (n < type.len && type.ptr[n] != ';' && type.ptr[n] != ' ')
        n++;
    char *lower = pw_arena_alloc(call->arena, n + 1);
    if (!lower)
        return (pw_str){ 0 };
    for (size_t i = 0; i < n; i++)
        lower[i] =
            type.ptr[i] >= 'A' && type.ptr[i] <= 'Z' ? (char)(type.ptr[i] + 32) : type.ptr[i];
    lower[n] = '\0';
    return (pw_str){ lower, n };
}

static bool take_document(pw_call *call)
{
    static const char types[] =
        "application/yaml|application/x-yaml|text/yaml|text/x-yaml|text/plain|application/json";
    pw_str body = pw_exchange_body(call->exchange);
    if (body.len == 0)
        return pw_problem_http(&call->problem, PW_PROBLEM_BAD_BODY,
                               "the body is missing: the workflow document");
    if (!one_of(pw_call_media_type(call), types))
        return pw_problem_http(
            &call->problem, PW_PROBLEM_MEDIA_TYPE,
            "send the workflow document as application/yaml or application/json");
    if (!pw_utf8_valid(body))
        return pw_problem_http(&call->problem, PW_PROBLEM_BAD_BODY, "the document is not UTF-8");
    pw_call_member(call, "text", pw_string_ref(body));
    return true;
}

static bool take_patch(pw_call *call)
{
    if (!pw_is(call->body, PW_ARRAY))
        return pw_problem_http(&call->problem, PW_PROBLEM_BAD_BODY, "a JSON Patch must be an array, not %s",
                               pw_type_name(call->body));
    pw_call_member(call, "patch", call->body);
    return true;
}

static bool take_json(pw_call *call)
{
    pw_str body = pw_exchange_body(call->exchange), type = pw_call_media_type(call);
    bool optional = call->route->body == PW_BODY_MEMBERS, patch = call->route->body == PW_BODY_PATCH;
    pawl_error err;
    if (body.len == 0 && optional)
        return true;
    bool patched = patch && pw_str_is(type, "application/json-patch+json");
    if (!patched && !pw_str_is(type, "application/json"))
        return pw_problem_http(&call->problem, PW_PROBLEM_MEDIA_TYPE, "send the body as application/json%s",
                               patch ? " or application/json-patch+json" : "");
    pawl_code code =
        pw_json_parse(&call->body, body, &(pw_json_limits){ .bytes = SIZE_MAX }, call->arena, &err);
    if (code == PAWL_INVALID)
        return pw_problem_http(&call->problem, PW_PROBLEM_BAD_BODY, "%s", err.message);
    if (code != PAWL_OK)
        return pw_problem_of(&call->problem, &err);
    if (call->route->body == PW_BODY_MANY && pw_is(call->body, PW_ARRAY))
        return true;
    if (patched)
        return take_patch(call);
    if (!pw_is(call->body, PW_OBJECT))
        return pw_problem_http(&call->problem, PW_PROBLEM_BAD_BODY,
                               "the body must be a JSON object, not %s", pw_type_name(call->body));
    return pw_call_take_members(call, call->body);
}

static bool is_plain(pw_call *call)
{
    pw_str coding = pw_exchange_header(call->exchange, "Content-Encoding");
    if (!coding.len || pw_str_is(coding, "identity"))
        return true;
    return pw_problem_http(&call->problem, PW_PROBLEM_MEDIA_TYPE,
                           "send the body as it is, without the Content-Encoding '" PW_FMT "'",
                           PW_ARG(coding));
}

bool pw_call_body(pw_call *call)
{
    if (!is_plain(call))
        return false;
    switch (call->route->body) {
    case PW_BODY_NONE:
        if (pw_exchange_body(call->exchange).len)
            return pw_problem_http(&call->problem, PW_PROBLEM_BAD_BODY,
                                   "a body means nothing here");
        return true;
    case PW_BODY_MEMBERS:
    case PW_BODY_NEEDED:
    case PW_BODY_MANY:
    case PW_BODY_PATCH:
        return take_json(call);
    case PW_BODY_DOCUMENT:
        return take_document(call);
    case PW_BODY_EVENTS: {
        pw_value events;
        if (!pw_cloudevents(call, &events))
            return false;
        pw_call_member(call, "events", events);
        return true;
    }
    }
    return false;
}
