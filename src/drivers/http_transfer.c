/* http_transfer.c - one HTTP request as a libcurl transfer.
 *
 * Promises    TLS is verified, unless the operator says otherwise. Only http and https are spoken. Framing
 *             (Content-Length, Transfer-Encoding) is ours: such headers of a request are left out.
 *             A header or method that could end its line and start another is refused.
 * Addresses   A socket is opened only to an address that the rules allow (http_address.c), but for a way that the
 *             operator named: the map and proxies. A connection that is kept is used again for the same way only:
 *             libcurl compares the host and port of the request, those of the map, and the proxy.
 * Encoding    A compressed body comes decompressed; the size limit counts what comes out. */
#include <limits.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>
#include "drivers/http_internal.h"

/* ------------------------------------------------------------------ checks */

static bool token_char(char c) /* RFC 9110, 5.6.2 */
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool pw_http_token(pw_str text)
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

bool pw_http_same_name(pw_str name, const char *literal)
{
    return name.len == strlen(literal) && strncasecmp(name.ptr, literal, name.len) == 0;
}

static bool request_has(const pw_call_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (pw_http_same_name(request->headers[i].name, name))
            return true;
    }
    return false;
}

static void free_url(CURLU **url)
{
    curl_url_cleanup(*url);
}

static void free_part(char **part)
{
    curl_free(*part);
}

static void make_lower(char *text)
{
    for (; *text; text++)
        *text = *text >= 'A' && *text <= 'Z' ? (char)(*text - 'A' + 'a') : *text;
}

bool pw_http_target_of(pw_http_target *out, pw_arena *arena, const char *uri, bool *http)
{
    PW_AUTO(free_url) CURLU *url = curl_url();
    PW_AUTO(free_part) char *scheme = NULL;
    PW_AUTO(free_part) char *host = NULL;
    PW_AUTO(free_part) char *port = NULL;
    *out = (pw_http_target){ .uri = uri };
    *http = false;
    if (!url)
        return pw_arena_fail(arena, false) != NULL;
    if (curl_url_set(url, CURLUPART_URL, uri, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
        return false;
    out->secure = strcasecmp(scheme, "https") == 0;
    *http = out->secure || strcasecmp(scheme, "http") == 0;
    (void)curl_url_get(url, CURLUPART_HOST, &host, 0);
    if (!*http) {
        out->peer = pw_arena_printf(arena, "%s://%s", scheme, host ? host : "");
        return out->peer.ptr != NULL;
    }
    if (!host || curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
        return false;
    out->host = pw_arena_str(arena, pw_str_of(host));
    out->port = pw_arena_str(arena, pw_str_of(port));
    out->peer = pw_arena_printf(arena, "%s:%s", host, port);
    make_lower(host);
    out->key = pw_arena_printf(arena, "%s://%s:%s", out->secure ? "https" : "http", host, port);
    return !arena->failed;
}

pw_str pw_http_service_name(pw_arena *arena, pw_str uri)
{
    pw_http_target target = { 0 };
    bool http;
    pw_str copy = pw_arena_str(arena, uri);
    if (!copy.ptr || memchr(copy.ptr, '\0', copy.len) || !pw_http_target_of(&target, arena, copy.ptr, &http))
        return (pw_str){ 0 };
    return target.key;
}

static bool refuse(pw_http_transfer *transfer, pw_str why)
{
    pw_http_transfer_fail(transfer, why.ptr ? PW_CLASS_ARGUMENT : PW_CLASS_OTHER, why);
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
    bool good = pw_http_target_of(&transfer->target, arena, copy.ptr, &http);
    if (arena->failed)
        return refuse(transfer, (pw_str){ NULL, 0 });
    if (!good)
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
    if (!pw_http_token(method) || method.len > 64)
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
        if (!pw_http_token(header->name))
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

/* What describes a body goes with it, and what may be a secret stays with the service that it is for. */
static bool left_out(const pw_http_transfer *transfer, pw_str name)
{
    if (pw_http_same_name(name, "content-length") || pw_http_same_name(name, "transfer-encoding"))
        return true; /* a wrong one would let the body be read as another request */
    if (transfer->bodiless && name.len > 8 && strncasecmp(name.ptr, "content-", 8) == 0)
        return true;
    return transfer->left && !pw_http_goes_along(name);
}

static bool add_headers(pw_http_transfer *transfer)
{
    const pw_call_request *request = &transfer->call.request;
    for (size_t i = 0; i < request->header_count; i++) {
        const pw_header *header = &request->headers[i];
        if (!left_out(transfer, header->name) && !add_header(transfer, header->name, header->value))
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
    pw_str body = transfer->bodiless ? PW_LIT("") : transfer->call.request.body;
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
    if (!post)
        SET(CURLOPT_CUSTOMREQUEST, method);
    return ok;
}

/* The only place that opens sockets to services. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    pw_http_transfer *transfer = context;
    (void)purpose;
    if (!transfer->route.mapped && !transfer->route.proxy) {
        pw_address_verdict verdict = pw_address_judge(&transfer->egress->addresses, &address->addr);
        if (!verdict.allowed) {
            pw_address_verdict *kept = transfer->refused ? NULL : PW_NEW(&transfer->call.arena, pw_address_verdict);
            if (kept) {
                *kept = verdict;
                transfer->refused = kept;
            }
            return CURL_SOCKET_BAD;
        }
    }
    transfer->connecting = true;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* A connection is ready, with TLS; nothing of the request is sent yet. */
static int before_request(void *context, char *ip, char *own_ip, int port, int own_port)
{
    pw_http_transfer *transfer = context;
    (void)ip, (void)own_ip, (void)port, (void)own_port;
    transfer->begun = true;
    return CURL_PREREQFUNC_OK;
}

static bool set_way(pw_http_transfer *transfer, CURL *easy, const pw_http_common *common)
{
    bool ok = true;
    transfer->egress = common->egress;
    transfer->route =
        pw_egress_route(common->egress, transfer->target.secure, transfer->target.host.ptr, transfer->target.port.ptr);
    if (transfer->route.mapped)
        SET(CURLOPT_CONNECT_TO, transfer->route.mapped);
    SET(CURLOPT_PROXY, transfer->route.proxy ? transfer->route.proxy : ""); /* "": not that of the environment either */
    SET(CURLOPT_NOPROXY, "");
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, (void *)transfer);
    SET(CURLOPT_PREREQFUNCTION, before_request);
    SET(CURLOPT_PREREQDATA, (void *)transfer);
#if LIBCURL_VERSION_NUM >= 0x075500
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
    SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    SET(CURLOPT_FOLLOWLOCATION, 0L); /* http_redirect.c does */
    return ok;
}

static bool set_tls(CURL *easy, const pw_tls *tls)
{
    bool ok = true;
    SET(CURLOPT_SSL_VERIFYPEER, tls->insecure ? 0L : 1L);
    SET(CURLOPT_SSL_VERIFYHOST, tls->insecure ? 0L : 2L);
    if (tls->certificates) { /* the system's folder of certificates stays */
        SET(CURLOPT_CAINFO, tls->certificates);
        SET(CURLOPT_PROXY_CAINFO, tls->certificates);
    }
    if (tls->client_certificate) {
        SET(CURLOPT_SSLCERT, tls->client_certificate);
        SET(CURLOPT_SSLKEY, tls->client_key);
    }
    return ok;
}

static long milliseconds(uint64_t ms)
{
    return ms > INT_MAX ? INT_MAX : (long)ms;
}

/* Of all its requests together. False: it is over. */
static bool set_times(pw_http_transfer *transfer, CURL *easy, const pw_http_common *common)
{
    bool ok = true;
    uint64_t passed_ms = pw_drivers_now_ms() - transfer->started_ms;
    transfer->timeout_ms =
        transfer->call.timeout_ms ? transfer->call.timeout_ms : common->timeout_ms;
    transfer->connect_timeout_ms = common->connect_timeout_ms;
    if (transfer->redirects == 0)
        passed_ms = 0; /* it begins now */
    if (passed_ms >= transfer->timeout_ms) {
        pw_http_transfer_late(transfer);
        return false;
    }
    if (transfer->connect_timeout_ms > transfer->timeout_ms - passed_ms)
        transfer->connect_timeout_ms = transfer->timeout_ms - passed_ms;
    SET(CURLOPT_TIMEOUT_MS, milliseconds(transfer->timeout_ms - passed_ms));
    SET(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(transfer->connect_timeout_ms));
    return ok;
}

bool pw_http_transfer_setup(pw_http_transfer *transfer, CURL *easy, const pw_http_common *common)
{
    bool ok = true;
    pw_http_transfer_fail(transfer, PW_CLASS_OTHER, PW_LIT("out of memory")); /* unless it gets through here */
    if (!transfer->error && !(transfer->error = pw_arena_alloc(&transfer->call.arena, CURL_ERROR_SIZE)))
        return false;
    transfer->error[0] = '\0';
    pw_buf_init(&transfer->body, common->response_max);
    if (!set_times(transfer, easy, common))
        return false;

    SET(CURLOPT_PRIVATE, (void *)transfer);
    SET(CURLOPT_ERRORBUFFER, transfer->error);
    SET(CURLOPT_URL, transfer->target.uri);
    SET(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A name that does not resolve in time is left to its own thread: to wait for it would hold up
     * all others. */
    SET(CURLOPT_QUICK_EXIT, 1L);
#endif
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_ACCEPT_ENCODING, ""); /* all that libcurl can decode */
    SET(CURLOPT_USERAGENT, "pawl/" PAWL_VERSION);
    SET(CURLOPT_HEADERFUNCTION, pw_http_take_header);
    SET(CURLOPT_HEADERDATA, (void *)transfer);
    SET(CURLOPT_WRITEFUNCTION, pw_http_take_body);
    SET(CURLOPT_WRITEDATA, (void *)transfer);
    ok = ok && set_way(transfer, easy, common) && set_tls(easy, &common->egress->tls) && set_method(transfer, easy) &&
         add_headers(transfer);
    SET(CURLOPT_HTTPHEADER, transfer->head);
    return ok;
}

void pw_http_transfer_clear(pw_http_transfer *transfer)
{
    curl_slist_free_all(transfer->head);
    transfer->head = NULL;
    pw_buf_done(&transfer->body);
}
