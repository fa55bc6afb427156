/* http_transfer.c - one HTTP request as a libcurl transfer, and what came of it in words.
 *
 * Promises    TLS is verified. Only http and https are spoken, after a redirect too. Framing
 *             (Content-Length, Transfer-Encoding) is ours: such headers of a request are left out.
 *             A header or method that could end its line and start another is refused. An answer's
 *             header values are UTF-8.
 * Redirects   Only if the request asks. As browsers do it: after 301 and 302 a POST becomes a GET,
 *             other methods stay; after 303 all but HEAD become GET; 307 and 308 change nothing.
 *             Authorization and Cookie go to the first host only; other headers go along, so a
 *             request with a secret of its own naming should not follow redirects.
 * Proxies     Those of the environment (http_proxy, https_proxy, no_proxy) are used, but never for
 *             loopback and for what the egress map names.
 * Encoding    A compressed body comes decompressed; the size limit counts what comes out. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <strings.h>
#include "drivers/http_internal.h"

/* ------------------------------------------------------------------ checks */

static bool token_char(char c) /* RFC 9110, 5.6.2 */
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool token(pw_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!token_char(text.ptr[i]))
            return false;
    }
    return text.len > 0;
}

static bool header_value(pw_str text) /* no way to end the line */
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return false;
    }
    return true;
}

static bool same_name(pw_str name, const char *literal)
{
    return name.len == strlen(literal) && strncasecmp(name.ptr, literal, name.len) == 0;
}

static bool request_has(const pw_call_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (same_name(request->headers[i].name, name))
            return true;
    }
    return false;
}

void pw_http_transfer_fail(pw_http_transfer *transfer, pw_str why)
{
    pw_call_result *result = &transfer->call.result;
    *result =
        (pw_call_result){ .duration_ms = result->duration_ms, .timed_out = result->timed_out };
    result->error = why.ptr ? why : PW_LIT("out of memory");
}

static void free_url(CURLU **url)
{
    curl_url_cleanup(*url);
}

static void free_part(char **part)
{
    curl_free(*part);
}

/* "host:port" of a URI in `arena`; ptr NULL: no memory, or no such URI. *http: its scheme is one
 * that we speak. */
static pw_str peer_of(pw_arena *arena, const char *uri, bool *http)
{
    PW_AUTO(free_url) CURLU *url = curl_url();
    PW_AUTO(free_part) char *scheme = NULL;
    PW_AUTO(free_part) char *host = NULL;
    PW_AUTO(free_part) char *port = NULL;
    *http = false;
    if (!url || curl_url_set(url, CURLUPART_URL, uri, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
        return (pw_str){ NULL, 0 };
    *http = strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0;
    (void)curl_url_get(url, CURLUPART_HOST, &host, 0);
    if (!*http)
        return pw_arena_printf(arena, "%s://%s", scheme, host ? host : "");
    if (!host || curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
        return (pw_str){ NULL, 0 };
    return pw_arena_printf(arena, "%s:%s", host, port);
}

static bool refuse(pw_http_transfer *transfer, pw_str why)
{
    pw_http_transfer_fail(transfer, why);
    return false;
}

static bool check_uri(pw_http_transfer *transfer)
{
    pw_arena *arena = &transfer->call.arena;
    pw_str uri = transfer->call.request.uri;
    for (size_t i = 0; i < uri.len; i++) {
        if ((unsigned char)uri.ptr[i] <= 0x20 || uri.ptr[i] == 0x7F)
            return refuse(transfer, PW_LIT("the URI holds a space or a control character: "
                                           "write it percent-encoded"));
    }
    pw_str copy = pw_arena_str(arena, uri);
    if (!copy.ptr)
        return refuse(transfer, copy);
    bool http;
    transfer->uri = copy.ptr;
    transfer->peer = peer_of(arena, transfer->uri, &http);
    if (arena->failed)
        return refuse(transfer, (pw_str){ NULL, 0 });
    if (!transfer->peer.ptr)
        return refuse(transfer,
                      pw_arena_printf(arena, "'" PW_FMT "' is no absolute http or https URI",
                                      PW_ARG(pw_drivers_utf8(arena, uri))));
    if (!http)
        return refuse(transfer, pw_arena_printf(arena, "'" PW_FMT "' is neither http nor https",
                                                PW_ARG(pw_drivers_utf8(arena, uri))));
    return true;
}

static bool check_method(pw_http_transfer *transfer)
{
    pw_str method = transfer->call.request.method;
    if (!token(method) || method.len > 64)
        return refuse(transfer, PW_LIT("the method is no HTTP method: it must be 1 to 64 letters"));
    char *upper = pw_arena_alloc(&transfer->call.arena, method.len + 1);
    if (!upper)
        return refuse(transfer, (pw_str){ NULL, 0 });
    for (size_t i = 0; i < method.len; i++) {
        char c = method.ptr[i];
        upper[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    upper[method.len] = '\0';
    transfer->method = upper;
    return true;
}

static bool check_headers(pw_http_transfer *transfer)
{
    pw_arena *arena = &transfer->call.arena;
    const pw_call_request *request = &transfer->call.request;
    for (size_t i = 0; i < request->header_count; i++) {
        const pw_header *header = &request->headers[i];
        if (!token(header->name))
            return refuse(transfer,
                          pw_arena_printf(arena, "header %zu: its name is no header name", i + 1));
        if (!header_value(header->value))
            return refuse(transfer,
                          pw_arena_printf(arena,
                                          "header '" PW_FMT "': its value holds a line break "
                                          "or a control character",
                                          PW_ARG(header->name)));
    }
    if (!header_value(transfer->call.key))
        return refuse(transfer,
                      PW_LIT("the idempotency key holds a line break or a control character"));
    return true;
}

bool pw_http_transfer_check(pw_http_transfer *transfer)
{
    return check_uri(transfer) && check_method(transfer) && check_headers(transfer);
}

/* ------------------------------------------------------------------ request */

static bool add_line(pw_http_transfer *transfer, const char *line)
{
    struct curl_slist *longer = line ? curl_slist_append(transfer->head, line) : NULL;
    if (longer)
        transfer->head = longer;
    return longer != NULL;
}

static bool add_header(pw_http_transfer *transfer, pw_str name, pw_str value)
{
    pw_buf line;
    pw_buf_init(&line, 0);
    pw_buf_str(&line, name);
    if (value.len == 0) {
        pw_buf_text(&line,
                    ";"); /* so libcurl writes a header without a value; "name:" would remove it */
    } else {
        pw_buf_text(&line, ": ");
        pw_buf_str(&line, value);
    }
    PW_AUTO(pw_free_text) char *text = pw_buf_take(&line);
    return add_line(transfer, text);
}

/* A request that has such a header by itself keeps it. */
static bool add_own(pw_http_transfer *transfer, const char *name, pw_str value)
{
    return value.len == 0 || !header_value(value) ||
           request_has(&transfer->call.request, name) ||
           add_header(transfer, pw_str_of(name), value);
}

static bool add_headers(pw_http_transfer *transfer)
{
    const pw_call_request *request = &transfer->call.request;
    for (size_t i = 0; i < request->header_count; i++) {
        const pw_header *header = &request->headers[i];
        if (same_name(header->name, "content-length") ||
            same_name(header->name, "transfer-encoding"))
            continue; /* a wrong one would let the body be read as another request */
        if (!add_header(transfer, header->name, header->value))
            return false;
    }
    if (!add_own(transfer, "Idempotency-Key", transfer->call.key) ||
        !add_own(transfer, "X-Correlation-ID", transfer->call.correlation) ||
        !add_own(transfer, "traceparent", transfer->call.trace))
        return false;
    /* Without this libcurl waits a second for "100 Continue" from services that never send it. */
    if (!request_has(request, "expect") && !add_line(transfer, "Expect:"))
        return false;
    /* Without this libcurl claims that a body is a form. */
    return request_has(request, "content-type") || add_line(transfer, "Content-Type:");
}

/* Sets an option; once one fails the rest is skipped, and the end of the list tells. */
#define SET(option, ...) (ok = ok && curl_easy_setopt(easy, option, __VA_ARGS__) == CURLE_OK)

static bool set_method(pw_http_transfer *transfer, CURL *easy)
{
    bool ok = true;
    pw_str body = transfer->call.request.body;
    const char *method = transfer->method;
    bool post = strcmp(method, "POST") == 0;
    if (strcmp(method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
        return ok;
    }
    if (strcmp(method, "GET") == 0 && body.len == 0) {
        SET(CURLOPT_HTTPGET, 1L);
        return ok;
    }
    /* These announce a body, even an empty one. */
    if (body.len || post || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
        SET(CURLOPT_POSTFIELDS,
            body.len ? body.ptr : ""); /* not copied: the call outlives the transfer */
    }
    transfer->own_method = !post;
    if (!post) {
        SET(CURLOPT_CUSTOMREQUEST, method);
        SET(CURLOPT_POSTREDIR,
            (long)(CURL_REDIR_POST_301 | CURL_REDIR_POST_302)); /* keep the body too */
    }
    return ok;
}

static size_t take_header(char *bytes, size_t size, size_t count, void *context);
static size_t take_body(char *bytes, size_t size, size_t count, void *context);

static bool set_redirect(const pw_http_transfer *transfer, CURL *easy)
{
    bool ok = true;
#if LIBCURL_VERSION_NUM >= 0x075500
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
    SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    SET(CURLOPT_REDIR_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    SET(CURLOPT_FOLLOWLOCATION, transfer->call.request.redirect ? 1L : 0L);
    SET(CURLOPT_MAXREDIRS, (long)PW_HTTP_REDIRECTS_MAX);
    SET(CURLOPT_UNRESTRICTED_AUTH, 0L);
    return ok;
}

static long milliseconds(uint64_t ms)
{
    return ms > INT_MAX ? INT_MAX : (long)ms;
}

bool pw_http_transfer_setup(pw_http_transfer *transfer, CURL *easy, const pw_http_common *common)
{
    bool ok = true;
    transfer->timeout_ms =
        transfer->call.timeout_ms ? transfer->call.timeout_ms : common->timeout_ms;
    transfer->connect_timeout_ms = common->connect_timeout_ms;
    if (transfer->connect_timeout_ms > transfer->timeout_ms)
        transfer->connect_timeout_ms = transfer->timeout_ms;
    pw_buf_init(&transfer->body, common->response_max);

    SET(CURLOPT_PRIVATE, (void *)transfer);
    SET(CURLOPT_ERRORBUFFER, transfer->error);
    SET(CURLOPT_URL, transfer->uri);
    SET(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A name that does not resolve in time is left to its own thread: to wait for it would hold up
     * all others. */
    SET(CURLOPT_QUICK_EXIT, 1L);
#endif
    SET(CURLOPT_TIMEOUT_MS, milliseconds(transfer->timeout_ms));
    SET(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(transfer->connect_timeout_ms));
    SET(CURLOPT_NOPROXY, common->no_proxy);
    if (common->egress->connect_to)
        SET(CURLOPT_CONNECT_TO, common->egress->connect_to);
    if (common->egress->certificates) /* the system's folder of certificates stays */
        SET(CURLOPT_CAINFO, common->egress->certificates);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_ACCEPT_ENCODING, ""); /* all that libcurl can decode */
    SET(CURLOPT_USERAGENT, "pawl/" PAWL_VERSION);
    SET(CURLOPT_HEADERFUNCTION, take_header);
    SET(CURLOPT_HEADERDATA, (void *)transfer);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, (void *)transfer);
    ok = ok && set_redirect(transfer, easy) && set_method(transfer, easy) && add_headers(transfer);
    SET(CURLOPT_HTTPHEADER, transfer->head);
    return ok;
}

/* ------------------------------------------------------------------ answer */

static size_t stop(pw_http_transfer *transfer, pw_http_stop why)
{
    transfer->stop = why;
    return 0; /* libcurl ends the transfer with CURLE_WRITE_ERROR */
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
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

/* A status line: an interim answer, a redirect, or the last answer; what came before is not wanted
 * any more. */
static void next_answer(pw_http_transfer *transfer, pw_str line)
{
    transfer->header_count = 0;
    pw_buf_reset(&transfer->body);
    const char *space = memchr(line.ptr, ' ', line.len);
    size_t rest = space ? line.len - (size_t)(space - line.ptr) : 0;
    if (transfer->own_method && transfer->call.request.redirect && rest >= 4 &&
        memcmp(space, " 303", 4) == 0) {
        /* libcurl drops the body after "See Other" but would keep a method that we named; cannot
         * fail: it frees */
        (void)curl_easy_setopt(transfer->easy, CURLOPT_CUSTOMREQUEST, NULL);
        (void)curl_easy_setopt(transfer->easy, CURLOPT_POSTREDIR, 0L);
    }
}

static size_t take_header(char *bytes, size_t size, size_t count, void *context)
{
    pw_http_transfer *transfer = context;
    size_t len = size * count;
    pw_str line = { bytes, len };
    transfer->header_bytes += len;
    if (transfer->header_bytes > PW_HTTP_HEADERS_MAX)
        return stop(transfer, PW_HTTP_STOP_HEADERS);
    if (pw_str_starts(line, PW_LIT("HTTP/"))) {
        next_answer(transfer, line);
        return len;
    }
    const char *colon = len ? memchr(bytes, ':', len) : NULL;
    if (!colon || colon == bytes || *bytes == ' ' || *bytes == '\t')
        return len; /* the empty line; a continuation of old times, which RFC 9112 lets us drop */
    pw_str name = trimmed((pw_str){ bytes, (size_t)(colon - bytes) });
    pw_str value = trimmed((pw_str){ colon + 1, len - (size_t)(colon - bytes) - 1 });
    if (!token(name))
        return len;
    return keep_header(transfer, name, value) ? len : stop(transfer, PW_HTTP_STOP_MEMORY);
}

/* ------------------------------------------------------------------ result */

/* libcurl's text names the host it could not reach: not that of the URI if it is a proxy. */
static bool by_proxy(pw_str peer, const char *detail)
{
    pw_str host = peer;
    while (host.len && host.ptr[host.len - 1] != ':')
        host.len--;
    if (host.len)
        host.len--; /* the port, and then the brackets of an IPv6 address */
    if (host.len > 2 && *host.ptr == '[')
        host = (pw_str){ host.ptr + 1, host.len - 2 };
    return !memmem(detail, strlen(detail), host.ptr, host.len);
}

static pw_str refused_by(pw_arena *arena, pw_str peer, CURL *easy, const char *detail)
{
    long native = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &native);
    switch (native) {
    case ECONNREFUSED:
        if (by_proxy(peer, detail))
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

static pw_str timed_out(const pw_http_transfer *transfer, pw_arena *arena, pw_str peer)
{
    curl_off_t connected_us = 0;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_CONNECT_TIME_T, &connected_us);
    if (connected_us == 0)
        return pw_arena_printf(arena, "no connection to " PW_FMT " within %llu ms", PW_ARG(peer),
                               (unsigned long long)transfer->connect_timeout_ms);
    return pw_arena_printf(arena, "no complete answer from " PW_FMT " within %llu ms", PW_ARG(peer),
                           (unsigned long long)transfer->timeout_ms);
}

static pw_str why_stopped(const pw_http_transfer *transfer, pw_arena *arena, pw_str peer,
                          const pw_http_common *common)
{
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
    /* After a redirect it is another service that failed. */
    const char *uri = NULL;
    bool http = true;
    pw_str peer = transfer->peer;
    if (curl_easy_getinfo(transfer->easy, CURLINFO_EFFECTIVE_URL, &uri) == CURLE_OK && uri) {
        pw_str last = peer_of(arena, uri, &http);
        if (last.ptr)
            peer = last;
    }
    pw_str told = pw_drivers_utf8(arena, pw_str_of(transfer->error));
    const char *detail =
        told.len && told.ptr == transfer->error ? transfer->error : curl_easy_strerror(code);
    switch ((int)code) {
    case CURLE_WRITE_ERROR:
        if (transfer->stop != PW_HTTP_STOP_NONE)
            return why_stopped(transfer, arena, peer, common);
        break;
    case CURLE_OUT_OF_MEMORY:
        return (pw_str){ NULL, 0 };
    case CURLE_COULDNT_RESOLVE_HOST:
        return pw_arena_printf(arena, "the name in " PW_FMT " cannot be resolved", PW_ARG(peer));
    case CURLE_COULDNT_CONNECT:
        return refused_by(arena, peer, transfer->easy, detail);
    case CURLE_OPERATION_TIMEDOUT:
        return timed_out(transfer, arena, peer);
    case CURLE_GOT_NOTHING:
        return pw_arena_printf(arena, PW_FMT " closed the connection without an answer",
                               PW_ARG(peer));
    case CURLE_PARTIAL_FILE:
        return pw_arena_printf(arena, PW_FMT " closed the connection in the middle of its answer",
                               PW_ARG(peer));
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return pw_arena_printf(arena, "the connection to " PW_FMT " broke: %s", PW_ARG(peer),
                               detail);
    case CURLE_UNSUPPORTED_PROTOCOL:
        if (!http)
            return pw_arena_printf(
                arena, "redirected to " PW_FMT ", which is neither http nor https", PW_ARG(peer));
        return pw_arena_printf(arena, PW_FMT " answered with something that is not HTTP",
                               PW_ARG(peer));
    case CURLE_WEIRD_SERVER_REPLY:
        return pw_arena_printf(arena, PW_FMT " answered with something that is not HTTP: %s",
                               PW_ARG(peer), detail);
    case CURLE_TOO_MANY_REDIRECTS:
        return pw_arena_printf(arena, "more than %d redirects, the last by " PW_FMT,
                               PW_HTTP_REDIRECTS_MAX, PW_ARG(peer));
    case CURLE_PEER_FAILED_VERIFICATION:
        return pw_arena_printf(arena, "the certificate of " PW_FMT " is not trusted: %s",
                               PW_ARG(peer), detail);
    default:
        break;
    }
    return pw_arena_printf(arena, "call of " PW_FMT " failed: %s", PW_ARG(peer), detail);
}

void pw_http_transfer_result(pw_http_transfer *transfer, CURLcode code,
                             const pw_http_common *common)
{
    pw_arena *arena = &transfer->call.arena;
    pw_call_result *result = &transfer->call.result;
    *result = (pw_call_result){ .duration_ms = pw_drivers_now_ms() - transfer->started_ms };
    long status = 0;
    if (code == CURLE_OK)
        (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) {
        result->timed_out = code == CURLE_OPERATION_TIMEDOUT;
        pw_http_transfer_fail(transfer, describe(transfer, arena, code, common));
        return;
    }
    pw_str body =
        transfer->body.len ? pw_arena_str(arena, pw_buf_view(&transfer->body)) : PW_LIT("");
    if (!body.ptr) {
        pw_http_transfer_fail(transfer, body);
        return;
    }
    result->answered = true;
    result->status = (int32_t)status;
    result->headers = transfer->headers;
    result->header_count = transfer->header_count;
    result->body = body;
}

void pw_http_transfer_clear(pw_http_transfer *transfer)
{
    curl_slist_free_all(transfer->head);
    transfer->head = NULL;
    pw_buf_done(&transfer->body);
}
