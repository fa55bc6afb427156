/* sink_message.c - a CloudEvent as an HTTP request, by the HTTP protocol binding of
 * CloudEvents 1.0.
 *
 * Structured: the body is the event, as it is stored. Binary: the body is its data, and each other
 * attribute a header `ce-NAME`, whose value is percent-encoded where it is not printable ASCII
 * (section 3.1.3.2). */
#include <stdio.h>
#include <strings.h>
#include "base/digest.h"
#include "base/json.h"
#include "drivers/sink_internal.h"

static bool add_header(pw_sink_message *m, size_t *size, pw_arena *arena, pw_str text)
{
    if (m->header_count == *size) {
        size_t more = *size ? *size * 2 : 16;
        const char **headers =
            pw_arena_grow(arena, m->headers, *size * sizeof *headers, more * sizeof *headers);
        if (!headers)
            return false;
        m->headers = headers;
        *size = more;
    }
    m->headers[m->header_count++] = text.ptr;
    return text.ptr != NULL;
}

/* What follows requests everywhere, so that traces join. */
static bool add_trace(pw_sink_message *m, size_t *size, pw_arena *arena, pw_str trace)
{
    for (size_t i = 0; i < trace.len; i++) {
        if (trace.ptr[i] < 0x20 || trace.ptr[i] == 0x7F)
            return true; /* not one */
    }
    return trace.len == 0 ||
           add_header(m, size, arena,
                      pw_arena_printf(arena, "traceparent: " PW_FMT, PW_ARG(trace)));
}

pawl_code pw_sink_message_structured(pw_sink_message *out, const pw_sink_event *event,
                                     pw_arena *arena, pawl_error *err)
{
    size_t size = 0;
    *out = (pw_sink_message){ .body = event->payload };
    bool good = add_header(out, &size, arena,
                           PW_LIT("Content-Type: application/cloudevents+json; charset=utf-8")) &&
                add_trace(out, &size, arena, event->trace);
    return good ? PAWL_OK : pw_no_memory(err);
}

/* ------------------------------------------------------------------ binary */

/* Of an attribute, as text: false: it has no such form (an array, an object). */
static bool attribute_text(pw_str *out, pw_value v, pw_arena *arena)
{
    *out = (pw_str){ 0 };
    if (pw_is(v, PW_ARRAY) || pw_is(v, PW_OBJECT))
        return false;
    *out = pw_is(v, PW_STRING) ? pw_text(v) : pw_json_text(arena, v, PW_JSON_COMPACT);
    return true;
}

static void encode(pw_buf *buf, pw_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c > 0x20 && c < 0x7F && c != '"' && c != '%')
            pw_buf_char(buf, (char)c);
        else
            pw_buf_printf(buf, "%%%02X", c);
    }
}

static pw_str attribute_header(pw_str name, pw_str value, pw_arena *arena)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, "ce-");
    pw_buf_str(&buf, name);
    pw_buf_text(&buf, ": ");
    encode(&buf, value);
    pw_str text = buf.failed ? (pw_str){ 0 } : pw_arena_str(arena, pw_buf_view(&buf));
    pw_buf_done(&buf);
    return text;
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* RFC 4648, 4. False: it is not. */
static bool decode_base64(pw_str *out, pw_str text, pw_arena *arena)
{
    char *bytes = pw_arena_alloc(arena, text.len / 4 * 3 + 1);
    size_t len = 0;
    *out = (pw_str){ bytes, 0 };
    if (!bytes || text.len % 4)
        return false;
    for (size_t i = 0; i < text.len; i += 4) {
        unsigned bits = 0;
        int pads = 0;
        for (size_t j = 0; j < 4; j++) {
            char c = text.ptr[i + j];
            bool pad = c == '=' && j >= 2 && i + 4 == text.len;
            int digit = base64_digit(c);
            if (pad ? false : digit < 0 || pads)
                return false;
            pads += pad;
            bits = bits << 6 | (unsigned)(pad ? 0 : digit);
        }
        for (int j = 0; j < 3 - pads; j++)
            bytes[len++] = (char)(bits >> (16 - 8 * j) & 0xFF);
    }
    out->len = len;
    return true;
}

/* "application/json", "text/json", "application/x+json": its data is a JSON value (JSON event
 * format, 3.1). */
static bool json_type(pw_str type)
{
    size_t end = 0;
    while (end < type.len && type.ptr[end] != ';' && type.ptr[end] != ' ')
        end++;
    return end >= 5 && (strncasecmp(type.ptr + end - 5, "/json", 5) == 0 ||
                        strncasecmp(type.ptr + end - 5, "+json", 5) == 0);
}

static pawl_code take_data(pw_sink_message *out, pw_value event, pw_arena *arena, pawl_error *err)
{
    pw_value data = pw_get_lit(event, "data"), bytes = pw_get_lit(event, "data_base64");
    pw_str type = pw_get_text(event, "datacontenttype");
    if (pw_is(bytes, PW_STRING)) {
        if (!decode_base64(&out->body, pw_text(bytes), arena))
            return arena->failed ? pw_no_memory(err)
                                 : pw_fail(err, PAWL_INVALID, "its data_base64 is not base 64");
    } else if (pw_is(data, PW_STRING) && type.len && !json_type(type)) {
        out->body = pw_text(data);
    } else if (!pw_is(data, PW_NONE)) {
        out->body = pw_json_text(arena, data, PW_JSON_COMPACT);
        if (!out->body.ptr)
            return pw_no_memory(err);
    }
    return PAWL_OK;
}

static pw_str content_type(pw_value event, pw_arena *arena)
{
    pw_str type = pw_get_text(event, "datacontenttype");
    for (size_t i = 0; i < type.len; i++) {
        if ((unsigned char)type.ptr[i] < 0x20 || type.ptr[i] == 0x7F)
            type = PW_LIT("application/octet-stream"); /* it would end its line */
    }
    return pw_arena_printf(arena, "Content-Type: " PW_FMT,
                           PW_ARG(type.len ? type : PW_LIT("application/json")));
}

static bool attribute_name(
    pw_str name) /* CloudEvents 3.1: lower-case letters and digits; we let capitals pass */
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')))
            return false;
    }
    return name.len > 0;
}

pawl_code pw_sink_message_binary(pw_sink_message *out, const pw_sink_event *event, pw_arena *arena,
                                 pawl_error *err)
{
    pw_value v;
    *out = (pw_sink_message){ .body = PW_LIT("") };
    pawl_code code = pw_json_parse(&v, event->payload, NULL, arena, err);
    if (code != PAWL_OK)
        return code;
    if (!pw_is(v, PW_OBJECT))
        return pw_fail(err, PAWL_INVALID, "it is not a JSON object");
    code = take_data(out, v, arena, err);
    if (code != PAWL_OK)
        return code;
    size_t size = 0;
    bool good = add_header(out, &size, arena, content_type(v, arena)) &&
                add_trace(out, &size, arena, event->trace);
    const pw_member *members = pw_members(v);
    for (uint32_t i = 0; good && i < v.count; i++) {
        pw_str name = members[i].key, text;
        if (pw_str_is(name, "data") || pw_str_is(name, "data_base64") ||
            pw_str_is(name, "datacontenttype") || pw_is(members[i].value, PW_NULL))
            continue;
        if (!attribute_name(name) || !attribute_text(&text, members[i].value, arena))
            return pw_fail(err, PAWL_INVALID,
                           "its attribute '" PW_FMT "' cannot be a header: an attribute has "
                                                    "letters and digits, and is a text, a number "
                           "or a boolean",
                           PW_ARG(name));
        good = text.ptr && add_header(out, &size, arena, attribute_header(name, text, arena));
    }
    return good ? PAWL_OK : pw_no_memory(err);
}

/* ------------------------------------------------------------------ signature */

pw_str pw_sink_signature(pw_str secret, uint64_t seconds, pw_str body, pw_arena *arena)
{
    pw_buf text;
    pw_buf_init(&text, 0);
    pw_buf_printf(&text, "%llu.", (unsigned long long)seconds);
    pw_buf_str(&text, body);
    char hex[PW_DIGEST_HEX_SIZE];
    bool good = !text.failed;
    if (good) {
        pw_digest digest = pw_digest_signed(secret, pw_buf_view(&text));
        pw_digest_hex(hex, &digest);
    }
    pw_buf_done(&text);
    return good ? pw_arena_printf(arena, "Pawl-Signature: t=%llu,v1=%s",
                                  (unsigned long long)seconds, hex)
                : (pw_str){ 0 };
}
