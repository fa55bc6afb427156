/* http_answer.c - what came of an HTTP request: an answer, or why there is none, in words and as a class.
 *
 * Promises    An answer's header values are UTF-8; its size has limits. "Unsent" is said only if no connection ever was ready for
 *             the request: then nothing of it has reached the service. */
#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include "drivers/http_internal.h"

void pw_http_transfer_fail(pw_http_transfer *transfer, pw_error_class class_, pw_str why)
{
    pw_call_result *result = &transfer->call.result;
    *result = (pw_call_result){ .duration_ms = result->duration_ms,
                                .timed_out = class_ == PW_CLASS_TIMEOUT,
                                .class_ = why.ptr ? class_ : PW_CLASS_OTHER,
                                .unsent = !transfer->begun };
    result->error = why.ptr ? why : PW_LIT("out of memory");
}

/* ------------------------------------------------------------------ answer */

static size_t stop(pw_http_transfer *transfer, pw_http_stop why)
{
    transfer->stop = why;
    return 0; /* libcurl ends the transfer with CURLE_WRITE_ERROR */
}

size_t pw_http_take_body(char *bytes, size_t size, size_t count, void *context)
{
    pw_http_transfer *transfer = context;
    size_t len = size * count;
    if (len > transfer->body.cap || transfer->body.len > transfer->body.cap - len)
        return stop(transfer, PW_HTTP_STOP_BODY);
    pw_buf_add(&transfer->body, bytes, len);
    return transfer->body.failed ? stop(transfer, PW_HTTP_STOP_MEMORY) : len;
}

static pw_str trimmed(pw_str text)
{
    while (text.len && strchr(" \t\r\n", text.ptr[text.len - 1]))
        text.len--;
    while (text.len && (*text.ptr == ' ' || *text.ptr == '\t')) {
        text.ptr++;
        text.len--;
    }
    return text;
}

static pw_str lower(pw_arena *arena, pw_str name)
{
    char *out = pw_arena_alloc(arena, name.len);
    if (!out)
        return (pw_str){ NULL, 0 };
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return (pw_str){ out, name.len };
}

static bool keep_header(pw_http_transfer *transfer, pw_str name, pw_str value)
{
    pw_arena *arena = &transfer->call.arena;
    if (transfer->header_count == transfer->header_size) {
        size_t size = transfer->header_size ? transfer->header_size * 2 : 16;
        pw_header *more = pw_arena_grow(arena, transfer->headers,
                                        transfer->header_size * sizeof *more, size * sizeof *more);
        if (!more)
            return false;
        transfer->headers = more;
        transfer->header_size = size;
    }
    pw_str copy = pw_arena_str(arena, value);
    if (!copy.ptr)
        return false;
    pw_header *header = &transfer->headers[transfer->header_count];
    header->name = lower(arena, name);
    header->value = pw_drivers_utf8(arena, copy);
    if (!header->name.ptr || !header->value.ptr)
        return false;
    transfer->header_count++;
    return true;
}

/* A status line: an interim answer, or the answer; what came before is not wanted any more. */
static void next_answer(pw_http_transfer *transfer)
{
    transfer->header_count = 0;
    pw_buf_reset(&transfer->body);
}

size_t pw_http_take_header(char *bytes, size_t size, size_t count, void *context)
{
    pw_http_transfer *transfer = context;
    size_t len = size * count;
    pw_str line = { bytes, len };
    transfer->header_bytes += len;
    if (transfer->header_bytes > PW_HTTP_HEADERS_MAX)
        return stop(transfer, PW_HTTP_STOP_HEADERS);
    if (pw_str_starts(line, PW_LIT("HTTP/"))) {
        next_answer(transfer);
        return len;
    }
    const char *colon = len ? memchr(bytes, ':', len) : NULL;
    if (!colon || colon == bytes || *bytes == ' ' || *bytes == '\t')
        return len; /* the empty line; a continuation of old times, which RFC 9112 lets us drop */
    pw_str name = trimmed((pw_str){ bytes, (size_t)(colon - bytes) });
    pw_str value = trimmed((pw_str){ colon + 1, len - (size_t)(colon - bytes) - 1 });
    if (!pw_http_token(name))
        return len;
    return keep_header(transfer, name, value) ? len : stop(transfer, PW_HTTP_STOP_MEMORY);
}

/* ------------------------------------------------------------------ result */

static long native_error(const pw_http_transfer *transfer)
{
    long native = 0;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &native);
    return native;
}

/* No socket was opened, since no address of the name may be used. */
static bool forbidden(const pw_http_transfer *transfer)
{
    return transfer->refused && !transfer->connecting;
}

static pw_str forbidden_by(const pw_http_transfer *transfer, pw_arena *arena)
{
    const pw_address_verdict *refused = transfer->refused;
    return pw_arena_printf(arena,
                           "calls to %s (" PW_FMT ") are not allowed: it is %s; who runs the engine may allow it by %s%s%s in "
                           "Engine:EgressAllow (PAWL_EGRESS_ALLOW, egress_allow)",
                           refused->text, PW_ARG(transfer->target.peer), refused->kind, refused->word ? refused->word : "",
                           refused->word ? " or " : "", refused->text);
}

static pw_str no_connection(const pw_http_transfer *transfer, pw_arena *arena, const char *detail)
{
    pw_str peer = transfer->target.peer;
    if (forbidden(transfer))
        return forbidden_by(transfer, arena);
    switch (native_error(transfer)) {
    case ECONNREFUSED:
        if (transfer->route.proxy)
            return pw_arena_printf(arena, "connection refused by the proxy for " PW_FMT ": %s",
                                   PW_ARG(peer), detail);
        return pw_arena_printf(arena, "connection refused by " PW_FMT, PW_ARG(peer));
    case ENETUNREACH:
    case EHOSTUNREACH:
        return pw_arena_printf(arena, "no route to " PW_FMT, PW_ARG(peer));
    case EMFILE:
    case ENFILE:
        return pw_arena_printf(arena,
                               "no connection to " PW_FMT ": too many open files in this process",
                               PW_ARG(peer));
    default:
        return pw_arena_printf(arena, "no connection to " PW_FMT ": %s", PW_ARG(peer), detail);
    }
}

static pw_str out_of_time(const pw_http_transfer *transfer, pw_arena *arena)
{
    pw_str peer = transfer->target.peer;
    if (!transfer->begun)
        return pw_arena_printf(arena, "no connection to " PW_FMT " within %llu ms", PW_ARG(peer),
                               (unsigned long long)transfer->connect_timeout_ms);
    return pw_arena_printf(arena, "no complete answer from " PW_FMT " within %llu ms", PW_ARG(peer),
                           (unsigned long long)transfer->timeout_ms);
}

void pw_http_transfer_late(pw_http_transfer *transfer)
{
    pw_http_transfer_fail(transfer, PW_CLASS_TIMEOUT, out_of_time(transfer, &transfer->call.arena));
}

static pw_str why_stopped(const pw_http_transfer *transfer, pw_arena *arena,
                          const pw_http_common *common)
{
    pw_str peer = transfer->target.peer;
    switch (transfer->stop) {
    case PW_HTTP_STOP_BODY:
        return pw_arena_printf(arena, "the answer of " PW_FMT " is longer than %zu bytes",
                               PW_ARG(peer), common->response_max);
    case PW_HTTP_STOP_HEADERS:
        return pw_arena_printf(arena, "the headers of " PW_FMT "'s answer are longer than %u bytes",
                               PW_ARG(peer), PW_HTTP_HEADERS_MAX);
    case PW_HTTP_STOP_MEMORY:
    case PW_HTTP_STOP_NONE:
        break;
    }
    return (pw_str){ NULL, 0 };
}

static pw_str describe(const pw_http_transfer *transfer, pw_arena *arena, CURLcode code,
                       const pw_http_common *common)
{
    pw_str peer = transfer->target.peer;
    pw_str told = pw_drivers_utf8(arena, pw_str_of(transfer->error));
    const char *detail =
        told.len && told.ptr == transfer->error ? transfer->error : curl_easy_strerror(code);
    switch ((int)code) {
    case CURLE_WRITE_ERROR:
        if (transfer->stop != PW_HTTP_STOP_NONE)
            return why_stopped(transfer, arena, common);
        break;
    case CURLE_OUT_OF_MEMORY:
        return (pw_str){ NULL, 0 };
    case CURLE_COULDNT_RESOLVE_HOST:
        return pw_arena_printf(arena, "the name in " PW_FMT " cannot be resolved", PW_ARG(peer));
    case CURLE_COULDNT_RESOLVE_PROXY:
        return pw_arena_printf(arena, "the name of the proxy for " PW_FMT " cannot be resolved", PW_ARG(peer));
    case CURLE_COULDNT_CONNECT:
        return no_connection(transfer, arena, detail);
    case CURLE_OPERATION_TIMEDOUT:
        return out_of_time(transfer, arena);
    case CURLE_GOT_NOTHING:
        return pw_arena_printf(arena, PW_FMT " closed the connection without an answer",
                               PW_ARG(peer));
    case CURLE_PARTIAL_FILE:
        return pw_arena_printf(arena, PW_FMT " closed the connection in the middle of its answer",
                               PW_ARG(peer));
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        if (!transfer->begun && transfer->route.proxy)
            return pw_arena_printf(arena, "the proxy did not connect to " PW_FMT ": %s", PW_ARG(peer), detail);
        return pw_arena_printf(arena, "the connection to " PW_FMT " broke: %s", PW_ARG(peer),
                               detail);
    case CURLE_UNSUPPORTED_PROTOCOL:
        return pw_arena_printf(arena, PW_FMT " answered with something that is not HTTP",
                               PW_ARG(peer));
    case CURLE_WEIRD_SERVER_REPLY:
        return pw_arena_printf(arena, PW_FMT " answered with something that is not HTTP: %s",
                               PW_ARG(peer), detail);
    case CURLE_PEER_FAILED_VERIFICATION:
        return pw_arena_printf(arena, "the certificate of " PW_FMT " is not trusted: %s",
                               PW_ARG(peer), detail);
    default:
        break;
    }
    return pw_arena_printf(arena, "call of " PW_FMT " failed: %s", PW_ARG(peer), detail);
}

static pw_error_class class_of(const pw_http_transfer *transfer, CURLcode code)
{
    switch ((int)code) {
    case CURLE_OPERATION_TIMEDOUT:
        return PW_CLASS_TIMEOUT;
    case CURLE_COULDNT_CONNECT:
        if (forbidden(transfer))
            return PW_CLASS_FORBIDDEN;
        if (native_error(transfer) == EMFILE || native_error(transfer) == ENFILE)
            return PW_CLASS_OTHER; /* it is ours, not the service's */
        return PW_CLASS_CONNECTION;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return PW_CLASS_CONNECTION;
    case CURLE_WRITE_ERROR:
        return transfer->stop == PW_HTTP_STOP_BODY || transfer->stop == PW_HTTP_STOP_HEADERS ? PW_CLASS_MALFORMED
                                                                                             : PW_CLASS_OTHER;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return PW_CLASS_MALFORMED;
    default:
        return PW_CLASS_OTHER;
    }
}

void pw_http_transfer_result(pw_http_transfer *transfer, CURLcode code,
                             const pw_http_common *common)
{
    pw_arena *arena = &transfer->call.arena;
    pw_call_result *result = &transfer->call.result;
    long status = 0;
    if (code != CURLE_OK) {
        pw_http_transfer_fail(transfer, class_of(transfer, code), describe(transfer, arena, code, common));
        return;
    }
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    pw_str body =
        transfer->body.len ? pw_arena_str(arena, pw_buf_view(&transfer->body)) : PW_LIT("");
    if (!body.ptr) {
        pw_http_transfer_fail(transfer, PW_CLASS_OTHER, body);
        return;
    }
    *result = (pw_call_result){ .answered = true, .duration_ms = result->duration_ms };
    result->status = (int32_t)status;
    result->headers = transfer->headers;
    result->header_count = transfer->header_count;
    result->body = body;
}
