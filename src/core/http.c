/* http.c - an HTTP call as the language writes it: rendered to one request, and its answer read. */
#include <stdio.h>
#include <strings.h>
#include "core/step.h"
#include "base/json.h"

/* ------------------------------------------------------------------ text */

static pw_str base64(pw_arena *arena, pw_str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = pw_arena_alloc(arena, (bytes.len + 2) / 3 * 4 + 1);
    if (!text)
        return (pw_str){ 0 };
    size_t n = 0;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)(uint8_t)bytes.ptr[i] << 16;
        if (left > 1)
            group |= (uint32_t)(uint8_t)bytes.ptr[i + 1] << 8;
        if (left > 2)
            group |= (uint32_t)(uint8_t)bytes.ptr[i + 2];
        text[n++] = digits[group >> 18 & 63];
        text[n++] = digits[group >> 12 & 63];
        text[n++] = left > 1 ? digits[group >> 6 & 63] : '=';
        text[n++] = left > 2 ? digits[group & 63] : '=';
    }
    text[n] = '\0';
    return (pw_str){ text, n };
}

pw_value pw_base64_value(pw_arena *arena, pw_str bytes)
{
    return pw_string_ref(base64(arena, bytes));
}

static void percent(pw_buf *buf, pw_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = (uint8_t)s.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~'; /* RFC 3986, unreserved */
        if (plain)
            pw_buf_char(buf, (char)c);
        else
            pw_buf_printf(buf, "%%%02X", c);
    }
}

/* A scalar as text; false: it is an array or an object. */
static bool scalar(pw_step *step, pw_value v, pw_str *out)
{
    if (pw_is(v, PW_ARRAY) || pw_is(v, PW_OBJECT))
        return false;
    if (pw_is(v, PW_NONE) || pw_is(v, PW_NULL))
        *out = (pw_str){ "", 0 };
    else
        *out = pw_is(v, PW_STRING) ? pw_text(v) : pw_json_text(step->arena, v, PW_JSON_COMPACT);
    return true;
}

static bool clean(pw_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
            return false;
    return true;
}

static bool refuse(pw_step *step, pw_frame *frame, const char *suffix, const char *what,
                   pw_str which)
{
    step->thrown = pw_problem(step, frame, suffix, 400, "the request cannot be made",
                              "%s '" PW_FMT "'", what, PW_ARG(which));
    return false;
}

/* ------------------------------------------------------------------ rendering */

/* RFC 6570, simple expansion of top-level members of the task's input (dsl 5.4). */
static bool expand(pw_step *step, pw_frame *frame, pw_buf *buf, pw_str tmpl, pw_value data)
{
    for (size_t i = 0; i < tmpl.len; i++) {
        if (tmpl.ptr[i] != '{') {
            pw_buf_char(buf, tmpl.ptr[i]);
            continue;
        }
        const char *end = memchr(tmpl.ptr + i, '}', tmpl.len - i);
        if (!end)
            return refuse(step, frame, "expression", "a '{' is not closed in the endpoint", tmpl);
        pw_str name = { tmpl.ptr + i + 1, (size_t)(end - tmpl.ptr) - i - 1 }, text;
        if (!scalar(step, pw_get(data, name), &text))
            return refuse(step, frame, "expression",
                          "only texts, numbers and booleans can stand in an endpoint, not", name);
        percent(buf, text);
        i = (size_t)(end - tmpl.ptr);
    }
    return true;
}

static bool add_query(pw_step *step, pw_frame *frame, pw_buf *buf, pw_value query)
{
    if (pw_is(query, PW_NULL))
        return true;
    if (!pw_is(query, PW_OBJECT))
        return refuse(step, frame, "expression", "the query must be an object, not",
                      pw_str_of(pw_type_name(query)));
    pw_str so_far = pw_buf_view(buf);
    char separator = so_far.len && memchr(so_far.ptr, '?', so_far.len) ? '&' : '?';
    const pw_member *members = pw_members(query);
    for (uint32_t i = 0; i < query.count; i++) {
        pw_str text;
        if (pw_is(members[i].value, PW_NULL))
            continue;
        if (!scalar(step, members[i].value, &text))
            return refuse(
                step, frame, "expression",
                "a query parameter must be a text, a number or a boolean:", members[i].key);
        pw_buf_char(buf, separator);
        separator = '&';
        percent(buf, members[i].key);
        pw_buf_char(buf, '=');
        percent(buf, text);
    }
    return true;
}

/* What a URI is made of; `data` PW_NONE: it is no template any more. */
typedef struct uri_parts {
    pw_str uri;
    pw_value data, query;
} uri_parts;

/* The buffer is the caller's, who gives it back also when the arena is full: then *enough is false. */
static bool write_uri(pw_step *step, pw_frame *frame, pw_buf *buf, const uri_parts *parts, pw_str *out,
                      bool *enough)
{
    jmp_buf here, *outer = pw_arena_guard(step->arena, &here);
    bool good = true;
    *enough = setjmp(here) == 0;
    if (*enough) {
        if (pw_is(parts->data, PW_NONE))
            pw_buf_str(buf, parts->uri);
        else
            good = expand(step, frame, buf, parts->uri, parts->data);
        good = good && add_query(step, frame, buf, parts->query);
        if (good && buf->failed)
            good = refuse(step, frame, "expression",
                          "the endpoint is longer than 64 KiB:", frame->task->name);
        if (good)
            *out = pw_str_of(memcpy(pw_arena_zalloc(step->arena, buf->len + 1),
                                    buf->ptr ? buf->ptr : "", buf->len));
    }
    pw_arena_guard(step->arena, outer);
    return good;
}

static bool make_uri(pw_step *step, pw_frame *frame, const uri_parts *parts, pw_str *out)
{
    pw_buf buf;
    pw_buf_init(&buf, 64 << 10);
    bool enough, good = write_uri(step, frame, &buf, parts, out, &enough);
    pw_buf_done(&buf);
    if (!enough)
        pw_step_abort(step, PAWL_NO_MEMORY, "out of memory");
    return good;
}

static bool is_text(pw_step *step, pw_frame *frame, pw_value uri)
{
    return pw_is(uri, PW_STRING) || refuse(step, frame, "expression", "the endpoint must be a text, not",
                                           pw_str_of(pw_type_name(uri)));
}

/* Null if there is none. A step of a compensation plan has it among its arguments. */
static bool part(pw_step *step, pw_frame *frame, const pw_template *tmpl, const char *name, pw_value *out)
{
    *out = pw_null();
    if (!pw_undo_is_step(frame))
        return !tmpl || pw_eval_template(step, frame, tmpl, frame->input, (pw_value){ 0 }, out);
    pw_value given = pw_get(frame->input, pw_str_of(name));
    if (!pw_is(given, PW_NONE))
        *out = given;
    return true;
}

static bool render_uri(pw_step *step, pw_frame *frame, pw_str *out)
{
    const pw_task *task = frame->task;
    const pw_template *endpoint = task->as.http.endpoint;
    bool expands = endpoint->kind == PW_TEMPLATE_CONST && !pw_undo_is_step(frame);
    pw_value uri, query;
    if (!part(step, frame, endpoint, "endpoint", &uri) || !is_text(step, frame, uri) ||
        !part(step, frame, task->as.http.query, "query", &query))
        return false;
    const uri_parts parts = { pw_text(uri), expands ? frame->input : (pw_value){ 0 }, query };
    if (!make_uri(step, frame, &parts, out))
        return false;
    if (strncasecmp(out->ptr, "http://", 7) != 0 && strncasecmp(out->ptr, "https://", 8) != 0)
        return refuse(step, frame, "configuration",
                      "the endpoint must begin with http:// or https://, not", *out);
    if (!clean(*out) || memchr(out->ptr, ' ', out->len))
        return refuse(step, frame, "expression",
                      "the endpoint has a blank or a control character:", *out);
    return true;
}

typedef struct header_list {
    pw_header *items;
    size_t count, size;
} header_list;

static void add_header(pw_step *step, header_list *list, pw_str name, pw_str value)
{
    if (list->count == list->size) {
        size_t size = list->size ? list->size * 2 : 8;
        list->items = pw_arena_grow(step->arena, list->items, list->size * sizeof *list->items,
                                    size * sizeof *list->items);
        list->size = size;
    }
    list->items[list->count++] = (pw_header){ name, value };
}

static bool has_header(const header_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].name.len == strlen(name) &&
            strncasecmp(list->items[i].name.ptr, name, list->items[i].name.len) == 0)
            return true;
    return false;
}

static bool header_name(pw_str s)
{
    static const char marks[] = "!#$%&'*+-.^_`|~"; /* RFC 9110, token */
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c && strchr(marks, c))))
            return false;
    }
    return s.len > 0;
}

static bool render_headers(pw_step *step, pw_frame *frame, header_list *list)
{
    const pw_task *task = frame->task;
    pw_value headers;
    if (!part(step, frame, task->as.http.headers, "headers", &headers))
        return false;
    if (!pw_is(headers, PW_OBJECT) && !pw_is(headers, PW_NULL))
        return refuse(step, frame, "expression", "the headers must be an object, not",
                      pw_str_of(pw_type_name(headers)));
    const pw_member *members = pw_is(headers, PW_OBJECT) ? pw_members(headers) : NULL;
    for (uint32_t i = 0; members && i < headers.count; i++) {
        pw_str text;
        if (pw_is(members[i].value, PW_NULL))
            continue;
        if (!header_name(members[i].key) || !scalar(step, members[i].value, &text) || !clean(text))
            return refuse(step, frame, "expression", "not a header that can be sent:", members[i].key);
        add_header(step, list, members[i].key, text);
    }
    pw_value parts[3] = { { 0 } };
    const pw_template *const sources[3] = { task->as.http.user, task->as.http.password,
                                            task->as.http.token };
    for (int i = 0; i < 3; i++) {
        if (!sources[i])
            continue;
        if (!pw_eval_template(step, frame, sources[i], frame->input, (pw_value){ 0 }, &parts[i]))
            return false;
        if (!pw_is(parts[i], PW_STRING) || !clean(pw_text(parts[i])))
            return refuse(step, frame, "authentication",
                          "user, password and token must be texts on one line:", task->name);
    }
    if (sources[2]) {
        add_header(
            step, list, PW_LIT("Authorization"),
            pw_arena_printf(step->arena, "Bearer %.*s", (int)parts[2].count, parts[2].as.text));
    } else if (sources[0]) {
        pw_str pair =
            pw_arena_printf(step->arena, "%.*s:%.*s", (int)parts[0].count, parts[0].as.text,
                            (int)parts[1].count, sources[1] ? parts[1].as.text : "");
        pw_str coded = base64(step->arena, pair);
        add_header(step, list, PW_LIT("Authorization"),
                   pw_arena_printf(step->arena, "Basic %.*s", (int)coded.len, coded.ptr));
    }
    return true;
}

pw_str pw_http_endpoint(pw_arena *arena, pw_str uri)
{
    size_t end = 0;
    while (end < uri.len && uri.ptr[end] != '?' && uri.ptr[end] != '#')
        end++;
    return pw_arena_str(arena, (pw_str){ uri.ptr, end });
}

pw_str pw_http_endpoint_of(pw_step *step, pw_frame *frame)
{
    pw_str uri;
    pw_value thrown = step->thrown;
    size_t literals = step->literals.count;
    bool rendered = render_uri(step, frame, &uri);
    step->thrown = thrown;
    step->literals.count = literals; /* it was told when the call began */
    return rendered ? pw_http_endpoint(step->arena, uri) : (pw_str){ 0 };
}

pw_str pw_http_service_of(pw_arena *arena, pw_str endpoint)
{
    static const struct {
        const char *scheme, *port;
    } schemes[] = { { "http://", ":80" }, { "https://", ":443" } };
    for (size_t i = 0; i < PW_LENGTH(schemes); i++) {
        size_t len = strlen(schemes[i].scheme), start = len, end = len;
        if (endpoint.len < len || strncasecmp(endpoint.ptr, schemes[i].scheme, len) != 0)
            continue;
        for (; end < endpoint.len && endpoint.ptr[end] != '/'; end++)
            if (endpoint.ptr[end] == '@')
                start = end + 1; /* behind a user's name */
        bool port = false; /* the colons of an address of IPv6 stand before its bracket */
        char *host = pw_arena_alloc(arena, end - start + 1);
        for (size_t at = start; at < end; at++) {
            char c = endpoint.ptr[at];
            port = c == ':' || (port && c != ']');
            host[at - start] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        }
        return pw_arena_printf(arena, "%s%.*s%s", schemes[i].scheme, (int)(end - start), host,
                               port ? "" : schemes[i].port);
    }
    return (pw_str){ 0 };
}

bool pw_http_render(pw_step *step, pw_frame *frame, pw_call_request *out)
{
    const pw_task *task = frame->task;
    *out = (pw_call_request){ .redirect = task->as.http.redirect };
    pw_value method, body;
    if (!part(step, frame, task->as.http.method, "method", &method))
        return false;
    pw_str name = pw_text(method);
    char *upper = pw_arena_zalloc(step->arena, name.len + 1);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        upper[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        if (upper[i] < 'A' || upper[i] > 'Z')
            return refuse(step, frame, "expression", "not an HTTP method:", name);
    }
    if (!name.len || name.len > 32)
        return refuse(step, frame, "expression", "not an HTTP method:", name);
    out->method = (pw_str){ upper, name.len };
    header_list headers = { 0 };
    if (!render_uri(step, frame, &out->uri) || !render_headers(step, frame, &headers))
        return false;
    if (!part(step, frame, task->as.http.body, "body", &body))
        return false;
    if (pw_is(body, PW_STRING)) {
        out->body = pw_text(body);
        if (!has_header(&headers, "content-type"))
            add_header(step, &headers, PW_LIT("Content-Type"), PW_LIT("text/plain; charset=utf-8"));
    } else if (!pw_is(body, PW_NULL)) {
        out->body = pw_json_text(step->arena, body, PW_JSON_COMPACT);
        if (!has_header(&headers, "content-type"))
            add_header(step, &headers, PW_LIT("Content-Type"), PW_LIT("application/json"));
    }
    if (!has_header(&headers, "accept"))
        add_header(step, &headers, PW_LIT("Accept"), PW_LIT("application/json, */*;q=0.5"));
    out->headers = headers.items;
    out->header_count = headers.count;
    return true;
}

bool pw_http_arguments(pw_step *step, pw_frame *frame, const pw_task *task, pw_value output, pw_value *out)
{
    const pw_template *const parts[] = { task->as.http.method, task->as.http.endpoint, task->as.http.headers,
                                         task->as.http.query, task->as.http.body };
    pw_value values[PW_LENGTH(parts)] = { { 0 } };
    pw_str uri;
    for (size_t i = 0; i < PW_LENGTH(parts); i++)
        if (parts[i] && !pw_eval_template(step, frame, parts[i], output, output, &values[i]))
            return false;
    if (!is_text(step, frame, values[1]))
        return false;
    bool expands = task->as.http.endpoint->kind == PW_TEMPLATE_CONST;
    const uri_parts whole = { pw_text(values[1]), expands ? output : (pw_value){ 0 }, pw_null() };
    if (!make_uri(step, frame, &whole, &uri))
        return false;
    const pw_member members[] = { { PW_LIT("method"), values[0] },
                                  { PW_LIT("endpoint"), pw_string_ref(uri) },
                                  { PW_LIT("headers"), values[2] },
                                  { PW_LIT("query"), values[3] },
                                  { PW_LIT("body"), values[4] } };
    *out = pw_object_of(step->arena, members, PW_LENGTH(members));
    return true;
}

/* ------------------------------------------------------------------ the request as text */

pw_str pw_call_request_text(pw_arena *arena, const pw_call_request *request)
{
    pw_array_builder headers = { .arena = arena };
    for (size_t i = 0; i < request->header_count; i++) {
        pw_value pair[] = { pw_string_ref(request->headers[i].name),
                            pw_string_ref(request->headers[i].value) };
        pw_array_add(&headers, pw_array(arena, pair, 2));
    }
    pw_member members[] = {
        { PW_LIT("method"), pw_string_ref(request->method) },
        { PW_LIT("uri"), pw_string_ref(request->uri) },
        { PW_LIT("headers"), pw_array_end(&headers) },
        { PW_LIT("body"), request->body.len ? pw_string_ref(request->body) : (pw_value){ 0 } },
        { PW_LIT("redirect"), request->redirect ? pw_bool(true) : (pw_value){ 0 } },
    };
    return pw_json_text(arena, pw_object_of(arena, members, PW_LENGTH(members)), PW_JSON_COMPACT);
}

pawl_code pw_call_request_parse(pw_call_request *out, pw_str text, pw_arena *arena, pawl_error *err)
{
    pw_value v = { .type = PW_NONE };
    pawl_code code = pw_json_parse(&v, text, NULL, arena, err);
    if (code == PAWL_NO_MEMORY)
        return code;
    pw_value headers = pw_get_lit(v, "headers");
    pw_str method = pw_get_text(v, "method"), uri = pw_get_text(v, "uri");
    if (code != PAWL_OK || !method.len || !uri.len || !pw_is(headers, PW_ARRAY))
        return pw_fail(err, PAWL_CORRUPT,
                       "a stored request is not readable: restore the store from a backup");
    pw_header *list = PW_NEW_ARRAY(arena, pw_header, headers.count + 1);
    if (!list)
        return pw_no_memory(err);
    for (uint32_t i = 0; i < headers.count; i++) {
        pw_value pair = pw_item(headers, i);
        list[i] = (pw_header){ pw_text(pw_item(pair, 0)), pw_text(pw_item(pair, 1)) };
        if (!list[i].name.len)
            return pw_fail(err, PAWL_CORRUPT, "a stored request has a header without a name");
    }
    *out = (pw_call_request){ .method = method,
                              .uri = uri,
                              .headers = list,
                              .header_count = headers.count,
                              .body = pw_get_text(v, "body"),
                              .redirect = pw_is(pw_get_lit(v, "redirect"), PW_TRUE) };
    return PAWL_OK;
}

/* ------------------------------------------------------------------ the answer */

static pw_str content_type(const pw_call_result *result)
{
    for (size_t i = 0; i < result->header_count; i++)
        if (pw_str_is(result->headers[i].name, "content-type")) {
            pw_str type = result->headers[i].value;
            const char *end = memchr(type.ptr, ';', type.len);
            if (end)
                type.len = (size_t)(end - type.ptr);
            while (type.len && type.ptr[type.len - 1] == ' ')
                type.len--;
            return type;
        }
    return (pw_str){ "", 0 };
}

static bool ends_with(pw_str s, const char *end)
{
    size_t n = strlen(end);
    return s.len >= n && strncasecmp(s.ptr + s.len - n, end, n) == 0;
}

/* dsl 8.1 and A-20: JSON types are read, text/ * is a text, anything else base64. False: it says
 * JSON and is none. */
static bool content(pw_step *step, const pw_call_result *result, pw_value *out, pawl_error *err)
{
    pw_str type = content_type(result);
    *out = pw_null();
    if (result->body.len == 0)
        return true;
    bool json = ends_with(type, "/json") || ends_with(type, "+json");
    if (json) {
        pawl_code code = pw_json_parse(out, result->body, NULL, step->arena, err);
        if (code == PAWL_NO_MEMORY)
            pw_step_abort(step, code, "out of memory");
        return code == PAWL_OK;
    }
    bool text =
        type.len >= 5 && strncasecmp(type.ptr, "text/", 5) == 0 && pw_utf8_valid(result->body);
    *out = text ? pw_string(step->arena, result->body) : pw_base64_value(step->arena, result->body);
    return true;
}

static pw_value header_object(pw_step *step, const pw_header *headers, size_t count)
{
    pw_object_builder object = { .arena = step->arena };
    for (size_t i = 0; i < count; i++) {
        if (!pw_utf8_valid(headers[i].value) || !pw_utf8_valid(headers[i].name))
            continue; /* Latin-1 in a header: nothing that an expression could read */
        pw_object_add(&object, pw_arena_str(step->arena, headers[i].name),
                      pw_string(step->arena, headers[i].value));
    }
    return pw_object_end(&object);
}

/* What $output.request will be: kept with the call, so that nothing is evaluated again after a
 * crash. */
pw_value pw_http_request_value(pw_step *step, const pw_call_request *request)
{
    pw_member members[] = {
        { PW_LIT("method"), pw_string_ref(request->method) },
        { PW_LIT("uri"), pw_string_ref(request->uri) },
        { PW_LIT("headers"), header_object(step, request->headers, request->header_count) },
    };
    return pw_object_of(step->arena, members, PW_LENGTH(members));
}

static pw_value whole_response(pw_step *step, const pw_frame *frame, const pw_call_result *result,
                               pw_value body)
{
    pw_member members[] = {
        { PW_LIT("request"), frame->args },
        { PW_LIT("statusCode"), pw_int(result->status) },
        { PW_LIT("headers"), header_object(step, result->headers, result->header_count) },
        { PW_LIT("content"), body },
    };
    return pw_object_of(step->arena, members, PW_LENGTH(members));
}

static const char *title_of(int status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 410:
        return "Gone";
    case 422:
        return "Unprocessable Content";
    case 429:
        return "Too Many Requests";
    case 500:
        return "Internal Server Error";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    default:
        return "the service answered with an error";
    }
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7); the two older forms are not read. */
static bool date_of(int64_t *out, pw_str text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char month[4] = "", zone[4] = "", copy[30];
    pw_date date = { 0 };
    int end = 0;
    if (text.len != sizeof copy - 1 || memchr(text.ptr, '\0', text.len))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (sscanf(copy, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d %3[A-Z]%n", &date.day, month,
               &date.year, &date.hour, &date.minute, &date.second, zone, &end) != 7 ||
        end != (int)text.len || strcmp(zone, "GMT") != 0)
        return false;
    const char *at = strstr(months, month);
    if (!at || (at - months) % 3 != 0)
        return false;
    date.month = 1 + (int)(at - months) / 3;
    *out = pw_date_ms(&date);
    return true;
}

typedef struct unanswered {
    pw_error_class class_;
    int status;
    const char *title;
} unanswered;

static const unanswered *unanswered_of(const pw_call_result *result)
{
    static const unanswered reasons[] = {
        { PW_CLASS_TIMEOUT, 504, "the service did not answer in time" },
        { PW_CLASS_MALFORMED, 502, "the answer is malformed" },
        { PW_CLASS_FORBIDDEN, 403, "calls to this address are not allowed here" },
        { PW_CLASS_OPEN, 503, "the circuit breaker of the service is open" },
        { PW_CLASS_ARGUMENT, 400, "the request cannot be made" },
        { PW_CLASS_OTHER, 500, "the call could not be made" },
        { PW_CLASS_CONNECTION, 500, "the service could not be reached" },
    };
    size_t i = 0;
    pw_error_class class_ = result->timed_out ? PW_CLASS_TIMEOUT : result->class_;
    while (i + 1 < PW_LENGTH(reasons) && reasons[i].class_ != class_)
        i++;
    return &reasons[i];
}

/* RFC 9110, 10.2.3: seconds, or a date. */
uint64_t pw_http_retry_after(const pw_call_result *result, int64_t now_ms)
{
    for (size_t i = 0; result->answered && i < result->header_count; i++) {
        if (!pw_str_is(result->headers[i].name, "retry-after"))
            continue;
        pw_str text = result->headers[i].value;
        uint64_t seconds = 0;
        size_t n = 0;
        while (n < text.len && n < 9 && text.ptr[n] >= '0' && text.ptr[n] <= '9')
            seconds = seconds * 10 + (uint64_t)(text.ptr[n++] - '0');
        if (n > 0 && n == text.len)
            return seconds * 1000;
        int64_t at;
        return date_of(&at, text) && at > now_ms ? (uint64_t)(at - now_ms) : 0;
    }
    return 0;
}

bool pw_http_read(pw_step *step, pw_frame *frame, const pw_call_result *result, pw_value *out)
{
    const pw_task *task = frame->task;
    if (!result->answered) {
        pw_str why = pw_utf8_valid(result->error) ? result->error : PW_LIT("no answer");
        const unanswered *u = unanswered_of(result);
        step->thrown = pw_problem(step, frame, "communication", u->status, u->title, PW_FMT, PW_ARG(why));
        return false;
    }
    int32_t last_good = task->as.http.redirect ? 399 : 299;
    if (result->status < 200 || result->status > last_good) {
        pw_str body = result->body.len > 300 ? (pw_str){ 0 } : result->body;
        bool show = body.len && pw_utf8_valid(body);
        step->thrown =
            pw_problem(step, frame, "communication", result->status, title_of(result->status),
                       "the service answered %d%s" PW_FMT, result->status, show ? ": " : "",
                       PW_ARG(show ? body : PW_LIT("")));
        return false;
    }
    pawl_error error;
    pw_value body;
    if (task->as.http.output == PW_HTTP_RAW) {
        *out = pw_base64_value(step->arena, result->body);
        return true;
    }
    if (!content(step, result, &body, &error)) {
        step->thrown = pw_problem(step, frame, "communication", 502, "the answer is malformed",
                                  "its content type says JSON, but %s", error.message);
        return false;
    }
    *out =
        task->as.http.output == PW_HTTP_RESPONSE ? whole_response(step, frame, result, body) : body;
    return true;
}

pw_str pw_http_outcome(pw_step *step, const pw_call_result *result)
{
    bool text = pw_utf8_valid(result->body);
    pw_member members[] = {
        { PW_LIT("status"), result->answered ? pw_int(result->status) : (pw_value){ 0 } },
        { PW_LIT("headers"), result->answered
                                 ? header_object(step, result->headers, result->header_count)
                                 : (pw_value){ 0 } },
        { PW_LIT("body"),
          result->answered && text ? pw_string_ref(result->body) : (pw_value){ 0 } },
        { PW_LIT("bodyBase64"), result->answered && !text
                                    ? pw_base64_value(step->arena, result->body)
                                    : (pw_value){ 0 } },
        { PW_LIT("error"), !result->answered && pw_utf8_valid(result->error)
                               ? pw_string_ref(result->error)
                               : (pw_value){ 0 } },
    };
    return pw_json_text(step->arena, pw_object_of(step->arena, members, PW_LENGTH(members)),
                        PW_JSON_COMPACT);
}
