/* sink_http.c - events are posted, one to a request.
 *
 * Ends        2xx: TAKEN. 408, 425, other 5xx, an answer that does not come, or a connection that
 * breaks: FAILED. What says that the whole sink cannot take anything now - nobody there, 401, 403,
 * 407, 429, 503 - begins nothing more in this batch, and is the failure of one event: the others of
 * the batch are HELD. All else, also a redirect: REFUSED; sent again, the same would come. Order of
 * one instance: the next request begins when the one before it was answered 2xx. Different
 * instances go side by side, on connections that are kept. Addresses   Any: the operator named the
 * place, not a workflow. Proxies are as the environment says, never for loopback. Secrets     are
 * in no error and not in target(). */
#include <curl/curl.h>
#include <limits.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include "drivers/http_internal.h"
#include "drivers/sink_internal.h"

enum {
    SHOWN_MAX = 200, /* bytes of an answer that are in an error */
    ANSWER_MAX =
        64 * 1024, /* of one that is read at all, so that its connection can be used again */
    CONNECT_TIMEOUT_MS = 5000,
};

typedef struct http_sink http_sink;

typedef struct transfer { /* one of at_once */
    CURL *easy;           /* made when it is first needed, kept */
    bool busy;
    bool begun;  /* a connection was ready: from now on something may have arrived */
    bool enough; /* we ended it: more of an answer than is read */
    size_t at;   /* its event */
    struct curl_slist *head;
    char shown[SHOWN_MAX + 1];
    size_t shown_len, answer_len;
    char error[CURL_ERROR_SIZE];
} transfer;

struct http_sink {
    pw_sink sink;
    const pawl_sink_options *options;
    char *target;
    bool binary;
    pw_egress egress;
    const char *proxy; /* in `egress`; "": none */
    CURLM *multi;
    transfer *transfers;
    uint32_t transfer_count;
};

/* One call of publish. */
typedef struct batch {
    http_sink *s;
    pw_sink_turns turns;
    pw_arena *arena;
    uint32_t under_way;
} batch;

/* ------------------------------------------------------------------ open, close */

static void http_close(pw_sink *sink)
{
    http_sink *s = (http_sink *)sink;
    for (uint32_t i = 0; s->transfers && i < s->transfer_count; i++)
        curl_easy_cleanup(s->transfers[i].easy);
    if (s->multi)
        (void)curl_multi_cleanup(s->multi);
    pw_egress_close(&s->egress);
    pw_free(s->transfers);
    pw_free(s->target);
    pw_free(s);
}

/* Calls `take` with each of "name=value,name=value". */
static pawl_code each_header(const char *list,
                             pawl_code (*take)(void *context, pw_str name, pw_str value,
                                               unsigned number, pawl_error *err),
                             void *context, pawl_error *err)
{
    unsigned number = 0;
    for (const char *at = list; at && *at;) {
        size_t len = strcspn(at, ","), name = strcspn(at, "=,");
        pw_str value = { at + name + 1, name < len ? len - name - 1 : 0 };
        if (name == len)
            name = 0; /* it is none */
        pawl_code code = take(context, (pw_str){ at, name }, value, ++number, err);
        if (code != PAWL_OK)
            return code;
        at += len + (at[len] == ',');
    }
    return PAWL_OK;
}

/* The value is not in the message: it may be a secret. */
static pawl_code check_header(void *context, pw_str name, pw_str value, unsigned number,
                              pawl_error *err)
{
    static const char *const ours[] = { "Content-Type", "Content-Length", "Transfer-Encoding",
                                        "Host",         "Connection",     "Pawl-Signature" };
    (void)context;
    if (!pw_http_token(name))
        return pw_fail(err, PAWL_INVALID, "headers: entry %u is not NAME=VALUE", number);
    for (size_t i = 0; i < value.len; i++) {
        if ((unsigned char)value.ptr[i] < 0x20 || value.ptr[i] == 0x7F)
            return pw_fail(err, PAWL_INVALID,
                           "headers: the value of " PW_FMT " has a control character",
                           PW_ARG(name));
    }
    for (size_t i = 0; i < PW_LENGTH(ours); i++) {
        if (pw_http_same_name(name, ours[i]))
            return pw_fail(err, PAWL_INVALID, "headers: %s is made here, and cannot be given",
                           ours[i]);
    }
    return PAWL_OK;
}

static pawl_code check_options(http_sink *s, pawl_error *err)
{
    const pawl_sink_options *o = s->options;
    if (!pw_sink_given(o->url))
        return pw_fail(err, PAWL_INVALID, "its url is not given: where events are posted");
    const char *mode = pw_sink_given(o->mode) ? o->mode : "structured";
    s->binary = strcmp(mode, "binary") == 0;
    if (!s->binary && strcmp(mode, "structured") != 0)
        return pw_fail(err, PAWL_INVALID, "mode '%.80s' is neither structured nor binary", o->mode);
    if (pw_sink_given(o->token) && (pw_sink_given(o->user) || pw_sink_given(o->password)))
        return pw_fail(
            err, PAWL_INVALID,
            "a token and a user with password are both given: a request has one Authorization");
    if (pw_sink_given(o->password) && !pw_sink_given(o->user))
        return pw_fail(err, PAWL_INVALID, "a password is given without a user");
    return each_header(o->headers, check_header, NULL, err);
}

static pawl_code find_way(http_sink *s, pawl_error *err)
{
    pw_arena arena;
    pw_http_target target;
    bool http;
    pw_arena_init(&arena, 0);
    bool good = pw_http_target_of(&target, &arena, s->options->url, &http) && http;
    pawl_code code = arena.failed ? pw_no_memory(err) : PAWL_OK;
    if (code == PAWL_OK && !good)
        code =
            pw_fail(err, PAWL_INVALID, "url '%.200s' is no absolute http or https URL", s->target);
    if (code == PAWL_OK)
        code = pw_egress_open(&s->egress, &(pw_http_options){ .egress_ca = s->options->ca }, err);
    if (code == PAWL_OK) {
        const char *proxy =
            pw_egress_route(&s->egress, target.secure, target.host.ptr, target.port.ptr).proxy;
        s->proxy = proxy ? proxy : "";
    }
    pw_arena_done(&arena);
    return code;
}

static pawl_code http_open(pw_sink **out, const pawl_sink_options *options, pawl_error *err)
{
    http_sink *s = pw_zalloc(sizeof *s);
    if (!s)
        return pw_no_memory(err);
    s->sink.kind = &pw_sink_http;
    s->options = options;
    s->transfer_count = pw_sink_at_once(options);
    pawl_code code = check_options(s, err);
    if (code == PAWL_OK) {
        s->transfers = pw_zalloc(s->transfer_count * sizeof *s->transfers);
        s->target = pw_sink_bare_url(options->url);
        bool made =
            s->transfers && s->target &&
            curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK; /* never undone: see http.c */
        s->multi = made ? curl_multi_init() : NULL;
        code = s->multi ? find_way(s, err) : pw_no_memory(err);
    }
    if (code != PAWL_OK) {
        http_close(&s->sink);
        return code;
    }
    *out = &s->sink;
    return PAWL_OK;
}

static const char *http_target(const pw_sink *sink)
{
    return ((const http_sink *)sink)->target;
}

/* ------------------------------------------------------------------ one request */

static size_t take_answer(char *bytes, size_t size, size_t count, void *context)
{
    transfer *t = context;
    size_t len = size * count,
           shown = len < SHOWN_MAX - t->shown_len ? len : SHOWN_MAX - t->shown_len;
    memcpy(t->shown + t->shown_len, bytes, shown);
    t->shown_len += shown;
    t->answer_len += len;
    t->enough = t->answer_len > ANSWER_MAX;
    return t->enough ? 0 : len;
}

static int before_request(void *context, char *ip, char *own_ip, int port, int own_port)
{
    (void)ip, (void)own_ip, (void)port, (void)own_port;
    ((transfer *)context)->begun = true;
    return CURL_PREREQFUNC_OK;
}

static bool append(struct curl_slist **head, const char *line)
{
    struct curl_slist *more = line ? curl_slist_append(*head, line) : NULL;
    if (more)
        *head = more;
    return more != NULL;
}

typedef struct header_list {
    struct curl_slist **head;
    pw_arena *arena;
} header_list;

static pawl_code append_header(void *context, pw_str name, pw_str value, unsigned number,
                               pawl_error *err)
{
    header_list *list = context;
    (void)number;
    /* With a ';' libcurl sends an empty one, and does not leave it out. */
    pw_str line =
        value.len ? pw_arena_printf(list->arena, PW_FMT ": " PW_FMT, PW_ARG(name), PW_ARG(value))
                  : pw_arena_printf(list->arena, PW_FMT ";", PW_ARG(name));
    return append(list->head, line.ptr) ? PAWL_OK : pw_no_memory(err);
}

static pawl_code add_headers(batch *b, transfer *t, const pw_sink_message *m, pawl_error *err)
{
    const pawl_sink_options *o = b->s->options;
    pawl_code code =
        each_header(o->headers, append_header, &(header_list){ &t->head, b->arena }, err);
    if (code != PAWL_OK)
        return code;
    bool ok = append(&t->head, "Expect:"); /* no question before a large body */
    for (size_t i = 0; ok && i < m->header_count; i++)
        ok = append(&t->head, m->headers[i]);
    if (ok && pw_sink_given(o->secret))
        ok = append(
            &t->head,
            pw_sink_signature(pw_str_of(o->secret), (uint64_t)time(NULL), m->body, b->arena).ptr);
    return ok ? PAWL_OK : pw_no_memory(err);
}

#define SET(option, value) (ok = ok && curl_easy_setopt(easy, (option), (value)) == CURLE_OK)

static bool set_fixed(http_sink *s, transfer *t)
{
    CURL *easy = t->easy;
    const pawl_sink_options *o = s->options;
    uint64_t timeout_ms = pw_sink_timeout_ms(o) < INT_MAX ? pw_sink_timeout_ms(o) : INT_MAX;
    bool ok = true;
    SET(CURLOPT_PRIVATE, (void *)t);
    SET(CURLOPT_ERRORBUFFER, t->error);
    SET(CURLOPT_URL, o->url);
    SET(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    SET(CURLOPT_QUICK_EXIT, 1L);
#endif
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_USERAGENT, "pawl/" PAWL_VERSION);
    SET(CURLOPT_PROXY, s->proxy);
    SET(CURLOPT_NOPROXY, "");
#if LIBCURL_VERSION_NUM >= 0x075500
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
    SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS,
        (long)(timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS));
    SET(CURLOPT_PREREQFUNCTION, before_request);
    SET(CURLOPT_PREREQDATA, (void *)t);
    SET(CURLOPT_WRITEFUNCTION, take_answer);
    SET(CURLOPT_WRITEDATA, (void *)t);
    if (s->egress.tls.certificates)
        SET(CURLOPT_CAINFO, s->egress.tls.certificates);
    if (pw_sink_given(o->token)) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        SET(CURLOPT_XOAUTH2_BEARER, o->token);
    } else if (pw_sink_given(o->user)) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(CURLOPT_USERNAME, o->user);
        SET(CURLOPT_PASSWORD, o->password ? o->password : "");
    }
    return ok;
}

static bool set_body(transfer *t, pw_str body)
{
    CURL *easy = t->easy;
    bool ok = true;
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    SET(CURLOPT_POSTFIELDS,
        body.len ? body.ptr : ""); /* not copied: the batch outlives the transfer */
    SET(CURLOPT_HTTPHEADER, t->head);
    return ok;
}
#undef SET

static pawl_code send_event(batch *b, transfer *t, pawl_error *err)
{
    http_sink *s = b->s;
    const pw_sink_event *event = &b->turns.events[t->at];
    pw_sink_message message;
    pawl_code code = s->binary ? pw_sink_message_binary(&message, event, b->arena, err)
                               : pw_sink_message_structured(&message, event, b->arena, err);
    if (code == PAWL_OK)
        code = add_headers(b, t, &message, err);
    if (code != PAWL_OK)
        return code;
    if (!t->easy) {
        t->easy = curl_easy_init();
        if (!t->easy || !set_fixed(s, t)) {
            curl_easy_cleanup(t->easy);
            t->easy = NULL;
            return pw_no_memory(err);
        }
    }
    t->begun = t->enough = false;
    t->shown_len = t->answer_len = 0;
    t->error[0] = '\0';
    if (!set_body(t, message.body) || curl_multi_add_handle(s->multi, t->easy) != CURLM_OK)
        return pw_no_memory(err);
    t->busy = true;
    b->under_way++;
    return PAWL_OK;
}

static void drop_head(transfer *t)
{
    curl_slist_free_all(t->head);
    t->head = NULL;
}

static void begin(batch *b, transfer *t, size_t at)
{
    pawl_error err = { .code = PAWL_OK };
    t->at = at;
    pawl_code code = send_event(b, t, &err);
    if (code == PAWL_OK)
        return;
    drop_head(t);
    pw_sink_fail(&b->turns.events[at], b->arena, code == PAWL_INVALID, "%s", err.message);
}

static void take_back(batch *b, transfer *t)
{
    (void)curl_multi_remove_handle(b->s->multi, t->easy);
    (void)curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, NULL);
    drop_head(t);
    t->busy = false;
    b->under_way--;
}

/* ------------------------------------------------------------------ its end */

/* The beginning of an answer, if it is text: its first line, for people. */
static pw_str shown(transfer *t)
{
    pw_str text = { t->shown, t->shown_len };
    text.len = pw_utf8_valid_length(text);
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7F)
            text.len = i;
    }
    return text;
}

static void answered(batch *b, transfer *t, long status)
{
    pw_sink_event *event = &b->turns.events[t->at];
    if (status >= 200 && status < 300) {
        event->end = PW_SINK_TAKEN;
        return;
    }
    bool whole = status == 401 || status == 403 || status == 407 || status == 429 || status == 503;
    bool again = whole || status == 408 || status == 425 || status >= 500;
    pw_str text = shown(t);
    pw_sink_fail(event, b->arena, !again, "answered %ld%s" PW_FMT, status, text.len ? ": " : "",
                 PW_ARG(text));
    curl_off_t seconds = 0;
    if (again && curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK &&
        seconds > 0)
        event->retry_after_ms =
            seconds < INT_MAX ? (uint64_t)seconds * 1000 : (uint64_t)INT_MAX * 1000;
    if (whole)
        pw_sink_turns_close(&b->turns, t->at);
}

static void ended(batch *b, transfer *t, CURLcode result)
{
    long status = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (result == CURLE_OK || (t->enough && status > 0)) {
        answered(b, t, status);
    } else {
        const char *why = t->error[0] ? t->error : curl_easy_strerror(result);
        pw_sink_fail(&b->turns.events[t->at], b->arena, false, "%s%s",
                     t->begun ? "no answer: " : "not reached: ", why);
        if (!t->begun)
            pw_sink_turns_close(&b->turns, t->at);
    }
    take_back(b, t);
}

static void end_those_done(batch *b)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(b->s->multi, &left)) != NULL;) {
        if (m->msg != CURLMSG_DONE)
            continue;
        transfer *t = NULL;
        CURLcode result = m->data.result; /* m is gone when its handle is taken back */
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        ended(b, t, result);
    }
}

static void give_up(batch *b, const char *why)
{
    for (uint32_t i = 0; i < b->s->transfer_count; i++) {
        transfer *t = &b->s->transfers[i];
        if (!t->busy)
            continue;
        pw_sink_fail(&b->turns.events[t->at], b->arena, false, "no answer: %s", why);
        take_back(b, t);
    }
}

static void begin_those_that_may(batch *b)
{
    size_t at;
    for (uint32_t i = 0; i < b->s->transfer_count; i++) {
        transfer *t = &b->s->transfers[i];
        while (!t->busy && pw_sink_turns_next(&b->turns, &at))
            begin(b, t, at); /* not busy then: it could not even begin */
    }
}

static void http_publish(pw_sink *sink, pw_sink_event *events, size_t count,
                         bool (*stop)(void *context), void *context, pw_arena *arena)
{
    http_sink *s = (http_sink *)sink;
    batch b = { .s = s, .arena = arena };
    if (!pw_sink_turns_init(&b.turns, events, count, arena)) {
        pw_sink_fail_whole(events, count, arena, "out of memory");
        return;
    }
    while (!stop(context)) {
        begin_those_that_may(&b);
        if (b.under_way == 0)
            break;
        int running;
        if (curl_multi_perform(s->multi, &running) != CURLM_OK ||
            ((uint32_t)running == b.under_way &&
             curl_multi_poll(s->multi, NULL, 0, PW_SINK_LOOK_MS, NULL) != CURLM_OK)) {
            b.turns.closed = true;
            give_up(&b, "out of memory");
        }
        end_those_done(&b);
    }
    give_up(&b, "closing");
    pw_sink_turns_end(&b.turns);
}

const pw_sink_kind pw_sink_http = { "http", http_open, http_publish, http_close, http_target };
