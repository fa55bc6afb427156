/* cloudevents.c - CloudEvents 1.0 as they travel by HTTP (the protocol's HTTP binding): structured
 * (the event is the body), batched (an array of them), and binary (attributes are headers, the body
 * is the data). What makes an event valid is said by pawl_publish(); here it is only put together.
 */
#include "server/api_internal.h"

enum { ATTRIBUTES_MAX = 100 };

typedef struct binary {
    pw_call *call;
    pw_object_builder event;
    bool failed;
} binary;

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool has_prefix(pw_str text, const char *prefix)
{
    size_t i = 0;
    for (; prefix[i]; i++)
        if (i >= text.len || lower(text.ptr[i]) != prefix[i])
            return false;
    return true;
}

/* ---- binary */

static void refuse(binary *b, pw_str name, const char *why)
{
    b->failed = true;
    (void)pw_problem_http(&b->call->problem, PW_PROBLEM_BAD_HEADER, "the header " PW_FMT " %s",
                          PW_ARG(name), why);
}

/* "a \"b\"" without its quotes and backslashes. */
static pw_str unquoted(pw_arena *arena, pw_str value)
{
    if (value.len < 2 || value.ptr[0] != '"' || value.ptr[value.len - 1] != '"')
        return value;
    char *out = pw_arena_alloc(arena, value.len);
    size_t n = 0;
    for (size_t i = 1; out && i + 1 < value.len; i++) {
        if (value.ptr[i] == '\\' && i + 2 < value.len)
            i++;
        out[n++] = value.ptr[i];
    }
    return (pw_str){ out, n };
}

/* ce-type: com.example.order becomes the attribute "type". */
static void take_header(void *context, pw_str name, pw_str value)
{
    binary *b = context;
    pw_arena *arena = b->call->arena;
    if (b->failed || !has_prefix(name, "ce-") || name.len == 3)
        return;
    char *attribute = pw_arena_alloc(arena, name.len);
    if (!attribute)
        return;
    for (size_t i = 3; i < name.len; i++) {
        char c = lower(name.ptr[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
            return refuse(b, name, "names no attribute: those are of a-z and 0-9");
        attribute[i - 3] = c;
    }
    pw_str key = { attribute, name.len - 3 };
    if (pw_str_is(key, "data") || pw_str_is(key, "datacontenttype"))
        return refuse(b, name, "means nothing: the data is the body, its type Content-Type");
    for (size_t i = 0; i < b->event.count; i++)
        if (pw_str_eq(b->event.members[i].key, key))
            return refuse(b, name, "is there twice");
    if (b->event.count == ATTRIBUTES_MAX)
        return refuse(b, name, "is one too many: at most 100 attributes");
    pw_str text = pw_percent_decoded(arena, unquoted(arena, value), false);
    if (!text.ptr)
        return refuse(b, name, "is not percent-encoded UTF-8");
    pw_object_add(&b->event, key, pw_string_ref(text));
}

static pw_value base64(pw_arena *arena, pw_str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = (bytes.len + 2) / 3 * 4;
    char *out = pw_arena_alloc(arena, length + 1);
    if (!out)
        return (pw_value){ 0 };
    for (size_t in = 0, at = 0; in < bytes.len; in += 3, at += 4) {
        size_t left = bytes.len - in;
        uint32_t group = (uint32_t)(uint8_t)bytes.ptr[in] << 16;
        group |= left > 1 ? (uint32_t)(uint8_t)bytes.ptr[in + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)(uint8_t)bytes.ptr[in + 2] : 0;
        out[at] = digits[group >> 18];
        out[at + 1] = digits[group >> 12 & 63];
        out[at + 2] = left > 1 ? digits[group >> 6 & 63] : '=';
        out[at + 3] = left > 2 ? digits[group & 63] : '=';
    }
    return pw_string_ref((pw_str){ out, length });
}

static bool is_json_type(pw_str type)
{
    return pw_str_is(type, "application/json") || pw_str_is(type, "text/json") ||
           (type.len > 5 && pw_str_is((pw_str){ type.ptr + type.len - 5, 5 }, "+json"));
}

static bool is_text_type(pw_str type)
{
    return has_prefix(type, "text/") || pw_str_is(type, "application/xml") ||
           (type.len > 4 && pw_str_is((pw_str){ type.ptr + type.len - 4, 4 }, "+xml"));
}

/* JSON is the data itself, other text a string, anything else base 64. Without a type it is JSON,
 * as the specification has it. */
static bool take_data(binary *b, pw_str type)
{
    pw_call *call = b->call;
    pw_str body = pw_exchange_body(call->exchange),
           whole = pw_exchange_header(call->exchange, "Content-Type");
    pawl_error err;
    pw_value data = { 0 };
    if (whole.ptr && whole.len)
        pw_object_add(&b->event, PW_LIT("datacontenttype"), pw_string_ref(whole));
    if (body.len == 0)
        return true;
    if (type.len && !is_json_type(type)) {
        bool text = is_text_type(type) && pw_utf8_valid(body);
        pw_object_add(&b->event, text ? PW_LIT("data") : PW_LIT("data_base64"),
                      text ? pw_string_ref(body) : base64(call->arena, body));
        return true;
    }
    pawl_code code =
        pw_json_parse(&data, body, &(pw_json_limits){ .bytes = SIZE_MAX }, call->arena, &err);
    if (code == PAWL_INVALID)
        return pw_problem_http(&call->problem, PW_PROBLEM_BAD_BODY, "the data of the event: %s",
                               err.message);
    if (code != PAWL_OK)
        return pw_problem_of(&call->problem, &err);
    pw_object_add(&b->event, PW_LIT("data"), data);
    return true;
}

static bool read_binary(pw_call *call, pw_str type, pw_value *out)
{
    binary b = { .call = call, .event = { .arena = call->arena } };
    pw_exchange_headers(call->exchange, take_header, &b);
    if (b.failed || !take_data(&b, type))
        return false;
    *out = pw_object_end(&b.event);
    return call->arena->failed ? pw_call_no_memory(call) : true;
}

/* ---- structured and batched */

static bool read_json(pw_call *call, bool object, bool array, pw_value *out)
{
    pawl_error err;
    pawl_code code = pw_json_parse(out, pw_exchange_body(call->exchange),
                                   &(pw_json_limits){ .bytes = SIZE_MAX }, call->arena, &err);
    if (code == PAWL_INVALID)
        return pw_problem_http(&call->problem, PW_PROBLEM_BAD_BODY, "%s", err.message);
    if (code != PAWL_OK)
        return pw_problem_of(&call->problem, &err);
    if ((object && pw_is(*out, PW_OBJECT)) || (array && pw_is(*out, PW_ARRAY)))
        return true;
    return pw_problem_http(&call->problem, PW_PROBLEM_BAD_BODY, "the body must be %s, not %s",
                           object && array ? "a CloudEvent or an array of them"
                           : object        ? "one CloudEvent"
                                           : "an array of CloudEvents",
                           pw_type_name(*out));
}

bool pw_cloudevents(pw_call *call, pw_value *out)
{
    pw_str type = pw_call_media_type(call);
    if (pw_str_is(type, "application/cloudevents+json"))
        return read_json(call, true, false, out);
    if (pw_str_is(type, "application/cloudevents-batch+json"))
        return read_json(call, false, true, out);
    if (has_prefix(type, "application/cloudevents"))
        return pw_problem_http(&call->problem, PW_PROBLEM_MEDIA_TYPE,
                               "of the formats of CloudEvents this server reads JSON alone");
    if (pw_exchange_header(call->exchange, "ce-specversion").ptr)
        return read_binary(call, type, out);
    if (pw_str_is(type, "application/json"))
        return read_json(call, true, true, out);
    return pw_problem_http(&call->problem, PW_PROBLEM_MEDIA_TYPE,
                           "send a CloudEvent as application/cloudevents+json, a batch as "
                           "application/cloudevents-batch+json, or one in "
                           "binary form, with its attributes as headers ce-...");
}
