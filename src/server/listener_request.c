/* listener_request.c - what libmicrohttpd calls.
 *
 *     on_connection    a connection begins and ends
 *     on_target        a request line has come
 *     on_request       the headers, then each piece of the body, then the end; and again for the
 * answer on_completed     the answer is sent, or will never be
 *
 * What is refused by its headers is answered before its body is read, and the connection closed
 * behind the answer. What is refused later can only be answered when its body has been read
 * (libmicrohttpd's rule): the rest is dropped, up to as many bytes as a body may have; who sends
 * more than that is cut off without an answer.
 *
 * libmicrohttpd reads lines more kindly than is safe behind a proxy that reads them otherwise. So
 * whatever makes it unclear where a request ends is refused: two lengths, a length and chunks, a
 * coding that is not "chunked", a name with a space. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "server/listener_internal.h"
#include "server/problem.h"

enum {
    HEADER_COST = 64,  /* bytes that libmicrohttpd needs beside the text of each header, cookie and
                          parameter */
    POOL_SPARE = 2048, /* of them for the headers of the answer: HEADERS_MAX, and its own */
};

static const struct {
    pw_http_problem kind;
    const char *detail;
} refusals[PW_REFUSALS] = {
    [PW_REFUSE_TARGET] = { PW_PROBLEM_BAD_REQUEST, "the request's target is not a path" },
    [PW_REFUSE_HEADER] = { PW_PROBLEM_BAD_HEADER, "a header is malformed" },
    [PW_REFUSE_HOST] = { PW_PROBLEM_BAD_HEADER, "there must be one Host header" },
    [PW_REFUSE_FRAMING] = { PW_PROBLEM_BAD_REQUEST, "it is not clear where the body ends" },
    [PW_REFUSE_BODY] = { PW_PROBLEM_TOO_LARGE, "the body is larger than the limit" },
    [PW_REFUSE_EXPECT] = { PW_PROBLEM_EXPECTATION, "only 100-continue may be expected" },
    [PW_REFUSE_HEADERS] = { PW_PROBLEM_HEADERS,
                            "request line and headers are larger than the limit" },
    [PW_REFUSE_CODING] = { PW_PROBLEM_CODING, "only the transfer coding chunked is understood" },
    [PW_REFUSE_BODIES] = { PW_PROBLEM_FULL,
                           "the server holds as many bytes of requests as it may" },
    [PW_REFUSE_MEMORY] = { PW_PROBLEM_MEMORY, "out of memory" },
    [PW_REFUSE_STOPPING] = { PW_PROBLEM_STOPPING, "the server is stopping" },
};

static pw_connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    PW_ASSERT(info && info->socket_context);
    return info->socket_context;
}

/* ---- headers */

typedef struct survey { /* of a request's headers */
    size_t count, hosts, lengths, codings;
    uint64_t length;
    const char *end; /* of the last value */
    bool malformed, chunked, expects, expects_other;
} survey;

static bool is_name(pw_str name, const char *lower_case)
{
    return name.len == strlen(lower_case) && strncasecmp(name.ptr, lower_case, name.len) == 0;
}

/* Digits only; too many: UINT64_MAX, which is larger than any limit. */
static bool read_length(uint64_t *out, pw_str text)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        bool fits = value < UINT64_MAX / 10 - 1;
        value = fits ? value * 10 + (uint64_t)(text.ptr[i] - '0') : UINT64_MAX;
    }
    *out = value;
    return text.len > 0;
}

static enum MHD_Result survey_header(void *context, enum MHD_ValueKind kind, const char *name,
                                     size_t name_len, const char *value, size_t value_len)
{
    survey *s = context;
    pw_str key = { name, name_len }, text = { value ? value : "", value_len };
    (void)kind;
    s->count++;
    s->end = value ? value + value_len : name + name_len + 1;
    s->malformed = s->malformed || name_len == 0;
    for (size_t i = 0; i < name_len; i++)
        if ((unsigned char)name[i] <= ' ' || (unsigned char)name[i] >= 0x7f)
            s->malformed = true;
    if (is_name(key, "content-length")) {
        s->lengths++;
        s->malformed = !read_length(&s->length, text) || s->malformed;
    } else if (is_name(key, "transfer-encoding")) {
        s->codings++;
        s->chunked = is_name(text, "chunked");
    } else if (is_name(key, "host")) {
        s->hosts++;
    } else if (is_name(key, "expect")) {
        s->expects = true;
        s->expects_other = !is_name(text, "100-continue");
    }
    return MHD_YES;
}

/* Behind the last header comes an empty line, all of it ends of lines, which libmicrohttpd has made
 * NUL. It takes a line that begins with a colon for an empty one, and joins lines that go on in the
 * next only to lose them. */
static bool ends_well(const survey *s, const char *head, size_t size)
{
    if (s->count == 0)
        return true;
    if (s->end < head || s->end > head + size || head + size - s->end > 4)
        return false;
    for (const char *at = s->end; at < head + size; at++)
        if (*at)
            return false;
    return true;
}

static bool bodies_are_full(pw_listener *l, uint64_t length)
{
    (void)pthread_mutex_lock(&l->lock);
    bool full = length > l->options.bodies_max - l->counts.body_bytes;
    (void)pthread_mutex_unlock(&l->lock);
    return full;
}

/* Whether the request is refused by its headers, whose text begins with the method. */
static pw_refusal judge(pw_listener *l, const pw_exchange *x, struct MHD_Connection *mhd,
                        const char *head, const char *version, bool *has_body)
{
    survey s = { 0 };
    bool old = strcmp(version, "HTTP/1.0") == 0;
    (void)MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, survey_header, &s);
    int cookies = MHD_get_connection_values_n(mhd, MHD_COOKIE_KIND, NULL, NULL);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    size_t size = info ? info->header_size : 0;
    *has_body = s.codings > 0 || (s.lengths > 0 && s.length > 0);
    if (size + (s.count + (size_t)(cookies > 0 ? cookies : 0)) * HEADER_COST >
        l->options.header_max)
        return PW_REFUSE_HEADERS;
    if (s.malformed || !ends_well(&s, head, size))
        return PW_REFUSE_HEADER;
    if (s.hosts > 1 || (s.hosts == 0 && !old))
        return PW_REFUSE_HOST;
    if (s.lengths > 1 || s.codings > 1 || (s.lengths && s.codings) || (s.codings && old))
        return PW_REFUSE_FRAMING;
    if (s.codings && !s.chunked)
        return PW_REFUSE_CODING;
    if (x->path.len == 0)
        return PW_REFUSE_TARGET;
    if (s.expects && s.expects_other)
        return PW_REFUSE_EXPECT;
    if (s.length > l->options.body_max)
        return PW_REFUSE_BODY;
    if (bodies_are_full(l, s.length))
        return PW_REFUSE_BODIES;
    if (l->draining)
        return PW_REFUSE_STOPPING;
    return PW_REFUSE_NOT;
}

static pw_method method_of(const char *name)
{
    static const char *const names[] = {
        [PW_GET] = "GET",     [PW_HEAD] = "HEAD",     [PW_POST] = "POST",       [PW_PUT] = "PUT",
        [PW_PATCH] = "PATCH", [PW_DELETE] = "DELETE", [PW_OPTIONS] = "OPTIONS",
    };
    for (size_t i = 0; i < PW_LENGTH(names); i++)
        if (strcmp(names[i], name) == 0)
            return (pw_method)i;
    return PW_OTHER;
}

/* ---- answers */

static void change_phase(pw_connection *c, pw_phase phase)
{
    c->phase = (uint8_t)phase;
    c->active_ms = c->listener->now_ms;
    pw_http_schedule(c);
}

static enum MHD_Result refuse(pw_connection *c, struct MHD_Connection *mhd, pw_refusal why)
{
    pw_listener *l = c->listener;
    (void)pthread_mutex_lock(&l->lock);
    l->counts.refused++;
    (void)pthread_mutex_unlock(&l->lock);
    change_phase(c, PHASE_SENDING);
    return MHD_queue_response(mhd, pw_http_problem_status(refusals[why].kind), l->refusals[why]);
}

static enum MHD_Result send_answer(pw_exchange *x, struct MHD_Connection *mhd)
{
    pw_listener *l = x->listener;
    struct MHD_Response *answer = x->answer;
    change_phase(x->connection, PHASE_SENDING);
    if (!answer)
        return MHD_queue_response(mhd, pw_http_problem_status(PW_PROBLEM_MEMORY),
                                  l->refusals[PW_REFUSE_MEMORY]);
    x->answer = NULL;
    if (l->draining ||
        x->gone) /* who has gone is not asked for more that it may have sent before */
        (void)MHD_add_response_header(answer, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result queued = MHD_queue_response(mhd, x->status, answer);
    MHD_destroy_response(answer); /* libmicrohttpd has it now */
    return queued;
}

/* ---- what libmicrohttpd calls */

/* libmicrohttpd goes on to cut the query into parameters, each of which takes memory of the
 * connection, and goes wrong when that is used up. The text is in its buffer of the request, and we
 * have a copy: so the query ends where it begins. */
static void end_query(const char *target)
{
    const char *mark = target ? strchr(target, '?') : NULL;
    if (mark && mark[1])
        *(char *)(uintptr_t)(mark + 1) = '\0';
}

static void *on_target(void *context, const char *target, struct MHD_Connection *mhd)
{
    pw_listener *l = context;
    pw_connection *c = connection_of(mhd);
    if (c->phase == PHASE_IDLE) {
        c->begun_ms = l->now_ms;
        change_phase(c, PHASE_READING);
    }
    PW_ASSERT(!c->exchange);
    c->asked = true;
    c->exchange = pw_exchange_new(c, target);
    end_query(target);
    return c->exchange;
}

static enum MHD_Result on_headers(pw_exchange *x, struct MHD_Connection *mhd, const char *method,
                                  const char *version)
{
    bool has_body = false;
    x->method = method_of(method);
    x->method_name = pw_str_of(method);
    pw_refusal refusal = judge(x->listener, x, mhd, method, version, &has_body);
    if (refusal != PW_REFUSE_NOT) {
        x->connection->unread = has_body;
        return refuse(x->connection, mhd, refusal);
    }
    x->state = EXCHANGE_BODY;
    return MHD_YES;
}

static enum MHD_Result on_body(pw_exchange *x, const char *bytes, size_t len)
{
    if (x->refusal == PW_REFUSE_NOT && pw_exchange_more_body(x, bytes, len))
        return MHD_YES;
    x->dropped += len;
    if (x->dropped <= x->listener->options.body_max)
        return MHD_YES;
    x->connection->cut = true;
    return MHD_NO;
}

static enum MHD_Result on_whole(pw_exchange *x, struct MHD_Connection *mhd)
{
    if (x->refusal == PW_REFUSE_NOT && x->listener->draining)
        x->refusal = PW_REFUSE_STOPPING;
    if (x->refusal != PW_REFUSE_NOT)
        return refuse(x->connection, mhd, x->refusal);
    MHD_suspend_connection(mhd);
    pw_exchange_begin(x);
    if (x->connection->ended_ms) /* before it was whole here */
        pw_exchange_lost(x);
    change_phase(x->connection, PHASE_WORKING);
    return MHD_YES;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *target,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *len, void **own)
{
    pw_exchange *x = *own;
    (void)context;
    (void)target; /* on_target had it before libmicrohttpd cut it up */
    if (!x)
        return refuse(connection_of(mhd), mhd, PW_REFUSE_MEMORY);
    if (x->state == EXCHANGE_HEADERS)
        return on_headers(x, mhd, method, version);
    if (x->state != EXCHANGE_BODY)
        return send_answer(x, mhd);
    if (*len == 0)
        return on_whole(x, mhd);
    size_t had = *len;
    *len = 0;
    return on_body(x, bytes, had);
}

static void on_completed(void *context, struct MHD_Connection *mhd, void **own,
                         enum MHD_RequestTerminationCode why)
{
    pw_listener *l = context;
    pw_connection *c = connection_of(mhd);
    (void)why;
    pw_exchange_free(*own);
    *own = NULL;
    c->exchange = NULL;
    change_phase(c, PHASE_IDLE);
    if (l->draining)
        pw_http_cut(c);
}

/* Before libmicrohttpd closes the socket. It has no word for a first line that is no request line,
 * and a client that still sends would lose what we said. */
static void say_goodbye(pw_listener *l, const pw_connection *c)
{
    int unread = 0;
    if (c->cut)
        return;
    if (pw_http_unheard(c))
        pw_http_tell(l, c->fd, "400 Bad Request", "");
    if (ioctl(c->fd, FIONREAD, &unread) != 0 || (unread == 0 && !c->unread))
        return;
    int copy = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
    if (copy >= 0)
        pw_http_linger(l, copy);
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **own,
                          enum MHD_ConnectionNotificationCode what)
{
    pw_listener *l = context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        l->arriving->mhd = mhd;
        *own = l->arriving;
        l->arriving = NULL;
        return;
    }
    if (!l->secure)
        say_goodbye(l, *own);
    pw_http_connection_free(*own);
    *own = NULL;
}

/* The target is ours, as it came; what libmicrohttpd makes of it is not looked at. */
static size_t leave_escaped(void *context, struct MHD_Connection *mhd, char *text)
{
    (void)context;
    (void)mhd;
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void on_complaint(void *context, const char *format,
                                                               va_list args)
{
    pw_listener *l = context;
    if (l->started)
        return; /* what clients do wrong is told them, not us */
    (void)vsnprintf(l->complaint, sizeof l->complaint, format, args);
    l->complaint[strcspn(l->complaint, "\n")] = '\0';
}

/* ---- its life */

/* NULL: out of memory. */
static char *refusal_text(pw_refusal why, size_t *length)
{
    pw_problem problem = { 0 };
    pw_arena arena;
    pw_arena_init(&arena, 0);
    (void)pw_problem_http(&problem, refusals[why].kind, "%s", refusals[why].detail);
    pw_str text = pw_problem_text(&problem, (pw_str){ 0 }, (pw_str){ 0 }, false, &arena);
    char *copy = text.ptr ? pw_strdup(text) : NULL;
    *length = text.len;
    pw_arena_done(&arena);
    return copy;
}

/* Made when the listener opens: to refuse takes no memory. */
static struct MHD_Response *refusal_response(pw_refusal why)
{
    size_t length = 0;
    char *text = refusal_text(why, &length);
    if (!text)
        return NULL;
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(length, text, pw_free);
    if (!response) {
        pw_free(text);
        return NULL;
    }
    bool retry = pw_http_problem_status(refusals[why].kind) == 503;
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                "application/problem+json") == MHD_YES &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES &&
        (!retry || MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1") == MHD_YES))
        return response;
    MHD_destroy_response(response);
    return NULL;
}

static struct MHD_Daemon *daemon_new(pw_listener *l)
{
    struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, l->certificate },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, l->key },
        { MHD_OPTION_HTTPS_PRIORITIES, 0, (char[]){ "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1" } },
        { MHD_OPTION_END, 0, NULL },
    };
    /* TURBO: it does not shut a socket down before closing it; that is say_goodbye()'s. */
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
                     MHD_USE_ERROR_LOG | (unsigned)(l->secure ? MHD_USE_TLS : MHD_USE_TURBO);
    /* The limit of connections is ours; libmicrohttpd's is above it, so that it never frees one to
     * make room. */
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, l, MHD_OPTION_EXTERNAL_LOGGER, on_complaint, l,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, l, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        l, MHD_OPTION_URI_LOG_CALLBACK, on_target, l, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped,
        NULL, MHD_OPTION_CONNECTION_MEMORY_LIMIT, l->options.header_max + POOL_SPARE,
        MHD_OPTION_CONNECTION_LIMIT, l->options.connections + 1, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
        MHD_OPTION_ARRAY, l->secure ? tls : &tls[PW_LENGTH(tls) - 1], MHD_OPTION_END);
}

pawl_code pw_http_serve(pw_listener *l, pawl_error *err)
{
    for (size_t i = 0; i < PW_REFUSALS; i++)
        if (!(l->refusals[i] = refusal_response((pw_refusal)i)))
            return pw_no_memory(err);
    size_t shares = l->options.connections / PW_HTTP_SHARE + 1;
    while (l->share_count < PW_HTTP_SHARES && l->share_count < shares) {
        struct MHD_Daemon *daemon = daemon_new(l);
        if (!daemon)
            return pw_fail(err, l->secure ? PAWL_INVALID : PAWL_IO,
                           "cannot start the HTTP server: %s",
                           l->complaint[0] ? l->complaint : "out of memory");
        l->shares[l->share_count++] = (pw_share){ WATCH_SHARE, false, daemon };
    }
    l->started = true;
    return PAWL_OK;
}

void pw_http_stop(pw_listener *l)
{
    pw_http_take_posts(l); /* none may be stopped while a connection is suspended */
    pw_http_run_shares(l);
    for (size_t i = 0; i < l->share_count; i++)
        MHD_stop_daemon(l->shares[i].daemon);
    for (size_t i = 0; i < PW_REFUSALS; i++)
        if (l->refusals[i])
            MHD_destroy_response(l->refusals[i]);
}
