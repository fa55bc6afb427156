/* sink_nats.c - events are published to NATS JetStream, and are TAKEN when a stream has
 * acknowledged them.
 *
 * Library     libnats is loaded when the first such sink is opened: who has none needs none. Only
 * what is opaque in its header is used, so that another version of it fits. Once        The header
 * Nats-Msg-Id is the event's id: a stream forgets a repetition (within its duplicate window). Order
 * of one instance: the next one is sent when the one before it was acknowledged. Connection  made
 * when there is something to publish, kept, and made anew when it is lost: libnats must not connect
 * again by itself, nor keep messages of ours that we count as failed. Threads     libnats calls
 * back on threads of its own: on_ack() puts what came into the inbox, and that is all that is
 *             shared. The inbox lives until both are done with it. */
#include <dlfcn.h>
#include <nats/nats.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "base/json.h"
#include "drivers/drivers_internal.h"
#include "drivers/sink_internal.h"

enum {
    ACK_MAX = 1024,
    SUBJECT_MAX = 1024,
    CONNECT_TIMEOUT_MS = 2000,
    MESSAGE_TOO_LARGE = 10054 /* error code of JetStream */
};

/* ------------------------------------------------------------------ the library */

#define FUNCTIONS(X)                                                                               \
    X(natsStatus_GetText)                                                                          \
    X(nats_GetLastError)                                                                           \
    X(natsOptions_Create)                                                                          \
    X(natsOptions_Destroy)                                                                         \
    X(natsOptions_SetServers)                                                                      \
    X(natsOptions_SetTimeout)                                                                      \
    X(natsOptions_SetName)                                                                         \
    X(natsOptions_SetAllowReconnect)                                                               \
    X(natsOptions_SetUserInfo)                                                                     \
    X(natsOptions_SetToken)                                                                        \
    X(natsOptions_SetSecure)                                                                       \
    X(natsOptions_LoadCATrustedCertificates)                                                       \
    X(natsConnection_Connect)                                                                      \
    X(natsConnection_Subscribe)                                                                    \
    X(natsConnection_PublishMsg)                                                                   \
    X(natsConnection_IsClosed)                                                                     \
    X(natsConnection_GetLastError)                                                                 \
    X(natsConnection_Destroy)                                                                      \
    X(natsSubscription_SetOnCompleteCB)                                                            \
    X(natsSubscription_Destroy)                                                                    \
    X(natsInbox_Create)                                                                            \
    X(natsInbox_Destroy)                                                                           \
    X(natsMsg_Create)                                                                              \
    X(natsMsg_Destroy)                                                                             \
    X(natsMsg_GetSubject)                                                                          \
    X(natsMsg_GetData)                                                                             \
    X(natsMsg_GetDataLength)                                                                       \
    X(natsMsg_IsNoResponders)                                                                      \
    X(natsMsgHeader_Set)

#define MEMBER(name) __typeof__(&name) name;
static struct {
    FUNCTIONS(MEMBER)
} nats; /* written once, by load_once */
#undef MEMBER
static pthread_once_t load_once_done = PTHREAD_ONCE_INIT;
static char load_error[256]; /* "": it is there */

static void load_once(void)
{
    static const char *const names[] = { "libnats.so.3.4",  "libnats.so.3.12", "libnats.so.3.11",
                                         "libnats.so.3.10", "libnats.so.3.9",  "libnats.so.3.8",
                                         "libnats.so.3.7",  "libnats.so.3.6",  "libnats.so.3.3",
                                         "libnats.so" };
    void *library = NULL;
    for (size_t i = 0; !library && i < PW_LENGTH(names); i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        (void)snprintf(
            load_error, sizeof load_error,
            "the library libnats is not installed: install its package (Debian: libnats3.4)");
        return;
    }
#define LOAD(name)                                                                                 \
    if (!(nats.name = (__typeof__(nats.name))dlsym(library, #name)) && !load_error[0])             \
        (void)snprintf(load_error, sizeof load_error,                                              \
                       "the library libnats has no %s: it is older than 3.0", #name);
    FUNCTIONS(LOAD)
#undef LOAD
}

static const char *why_of(natsStatus status)
{
    const char *last = nats.nats_GetLastError(NULL);
    return last && *last ? last : nats.natsStatus_GetText(status);
}

/* ------------------------------------------------------------------ acknowledgements */

typedef struct reply { /* one of at_once */
    uint64_t number;   /* of the message that was sent; 0: none */
    bool come, nobody; /* nobody: no stream has the subject */
    char text[ACK_MAX];
    size_t len;
} reply;

typedef struct inbox {
    atomic_uint users; /* the sink, and the library's subscription */
    pthread_mutex_t lock;
    pthread_cond_t told;
    reply *replies;
    uint32_t count;
} inbox;

static void drop_inbox(inbox *in)
{
    if (atomic_fetch_sub_explicit(&in->users, 1, memory_order_acq_rel) != 1)
        return;
    (void)pthread_cond_destroy(&in->told);
    (void)pthread_mutex_destroy(&in->lock);
    pw_free(in->replies);
    pw_free(in);
}

static inbox *new_inbox(uint32_t count)
{
    inbox *in = pw_zalloc(sizeof *in);
    pthread_condattr_t monotonic;
    if (!in || pthread_condattr_init(&monotonic) != 0) {
        pw_free(in);
        return NULL;
    }
    bool good = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&in->told, &monotonic) == 0;
    (void)pthread_condattr_destroy(&monotonic);
    in->replies = pw_zalloc(count * sizeof *in->replies);
    in->count = count;
    atomic_init(&in->users, 1);
    if (good && in->replies && pthread_mutex_init(&in->lock, NULL) == 0)
        return in;
    if (good)
        (void)pthread_cond_destroy(&in->told);
    pw_free(in->replies);
    pw_free(in);
    return NULL;
}

/* On a thread of the library. */
static void on_ack(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                   void *context)
{
    inbox *in = context;
    (void)connection, (void)subscription;
    const char *dot = strrchr(nats.natsMsg_GetSubject(message), '.');
    uint64_t number = dot ? strtoull(dot + 1, NULL, 10) : 0;
    (void)pthread_mutex_lock(&in->lock);
    for (uint32_t i = 0; number && i < in->count; i++) {
        reply *r = &in->replies[i];
        if (r->number != number || r->come)
            continue;
        int len = nats.natsMsg_GetDataLength(message);
        r->come = true;
        r->nobody = nats.natsMsg_IsNoResponders(message);
        r->len = len > 0 && len <= ACK_MAX ? (size_t)len : 0;
        if (r->len)
            memcpy(r->text, nats.natsMsg_GetData(message), r->len);
        (void)pthread_cond_signal(&in->told);
        break;
    }
    (void)pthread_mutex_unlock(&in->lock);
    nats.natsMsg_Destroy(message);
}

static void on_complete(void *context)
{
    drop_inbox(context);
}

/* Until something came, or it is time to look. */
static void wait_for_reply(inbox *in)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PW_SINK_LOOK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    bool come = false, late = false;
    (void)pthread_mutex_lock(&in->lock);
    for (;;) {
        for (uint32_t i = 0; !come && i < in->count; i++)
            come = in->replies[i].come;
        if (come || late)
            break;
        late = pthread_cond_timedwait(&in->told, &in->lock, &until) != 0;
    }
    (void)pthread_mutex_unlock(&in->lock);
}

/* ------------------------------------------------------------------ open, close */

typedef struct message { /* one of at_once */
    bool busy;
    size_t at; /* its event */
    uint64_t deadline_ms;
    char subject[SUBJECT_MAX];
} message;

typedef struct nats_sink {
    pw_sink sink;
    const pawl_sink_options *options;
    char *target;
    char *servers_text; /* the text of `servers` */
    const char **servers;
    int server_count;
    bool secure;
    const char *subject; /* a template */
    inbox *in;           /* NULL: not connected */
    natsConnection *connection;
    natsSubscription *subscription;
    natsInbox *address;
    uint64_t number; /* of the last message */
    message *messages;
    uint32_t message_count;
} nats_sink;

typedef struct batch {
    nats_sink *s;
    pw_sink_turns turns;
    pw_arena *arena;
    uint32_t under_way;
} batch;

static void disconnect(nats_sink *s)
{
    if (s->subscription)
        nats.natsSubscription_Destroy(s->subscription);
    if (s->connection)
        nats.natsConnection_Destroy(s->connection);
    if (s->address)
        nats.natsInbox_Destroy(s->address);
    if (s->in)
        drop_inbox(s->in);
    s->subscription = NULL;
    s->connection = NULL;
    s->address = NULL;
    s->in = NULL;
}

static void nats_close_sink(pw_sink *sink)
{
    nats_sink *s = (nats_sink *)sink;
    disconnect(s);
    pw_free(s->target);
    pw_free(s->servers_text);
    pw_free(s->servers);
    pw_free(s->messages);
    pw_free(s);
}

static pawl_code read_servers(nats_sink *s, pawl_error *err)
{
    static const char *const schemes[] = { "nats://", "tls://" };
    const char *url = s->options->url;
    size_t most = 1;
    if (!pw_sink_given(url))
        return pw_fail(err, PAWL_INVALID,
                       "its url is not given: nats://HOST[:PORT], more with commas");
    for (const char *c = url; *c; c++)
        most += *c == ',';
    s->servers_text = pw_strdup(pw_str_of(url));
    s->servers = pw_zalloc(most * sizeof *s->servers);
    pw_buf target;
    pw_buf_init(&target, 0);
    bool memory = s->servers_text && s->servers;
    for (char *at = s->servers_text, *next; memory && at; at = next) {
        next = strchr(at, ',');
        if (next)
            *next++ = '\0';
        while (*at == ' ')
            at++;
        PW_AUTO(pw_free_text) char *bare = pw_sink_bare_url(at);
        bool known = false;
        for (size_t i = 0; i < PW_LENGTH(schemes); i++)
            known = known || pw_str_starts(pw_str_of(at), pw_str_of(schemes[i]));
        if (bare && (!known || strstr(bare, "://")[3] == '\0')) {
            pw_buf_done(&target);
            return pw_fail(err, PAWL_INVALID,
                           "url '%.200s' is neither nats://HOST[:PORT] nor tls://HOST[:PORT]",
                           bare);
        }
        s->secure = s->secure || pw_str_starts(pw_str_of(at), PW_LIT("tls://"));
        s->servers[s->server_count++] = at;
        pw_buf_text(&target, s->server_count > 1 ? "," : "");
        pw_buf_text(&target, bare ? bare : "");
        memory = bare != NULL;
    }
    s->target = pw_buf_take(&target);
    return memory && s->target ? PAWL_OK : pw_no_memory(err);
}

/* Placeholders that are known, and nothing that a subject to publish to cannot have. */
static pawl_code check_subject(const char *subject, pawl_error *err)
{
    for (const char *at = subject; *at;) {
        if (strncmp(at, "{type}", 6) == 0) {
            at += 6;
        } else if (strncmp(at, "{source}", 8) == 0) {
            at += 8;
        } else if ((unsigned char)*at <= ' ' || *at == 0x7F || strchr("*>{}", *at)) {
            return pw_fail(err, PAWL_INVALID,
                           "subject '%.200s' has a space, '*', '>', or a brace that is neither "
                           "{type} nor {source}",
                           subject);
        } else {
            at++;
        }
    }
    size_t len = strlen(subject);
    if (subject[0] == '.' || subject[len - 1] == '.' || strstr(subject, ".."))
        return pw_fail(err, PAWL_INVALID, "subject '%.200s' has an empty part between its dots",
                       subject);
    return PAWL_OK;
}

static pawl_code check_options(nats_sink *s, pawl_error *err)
{
    const pawl_sink_options *o = s->options;
    if (pw_sink_given(o->token) && (pw_sink_given(o->user) || pw_sink_given(o->password)))
        return pw_fail(err, PAWL_INVALID, "a token and a user with password are both given");
    if (pw_sink_given(o->password) != pw_sink_given(o->user))
        return pw_fail(err, PAWL_INVALID, "of user and password one is missing");
    pawl_code code = read_servers(s, err);
    return code == PAWL_OK ? check_subject(s->subject, err) : code;
}

static pawl_code nats_open_sink(pw_sink **out, const pawl_sink_options *options, pawl_error *err)
{
    nats_sink *s = pw_zalloc(sizeof *s);
    if (!s)
        return pw_no_memory(err);
    s->sink.kind = &pw_sink_nats;
    s->options = options;
    s->subject = pw_sink_given(options->subject) ? options->subject : "pawl.{type}";
    s->message_count = pw_sink_at_once(options);
    s->messages = pw_zalloc(s->message_count * sizeof *s->messages);
    pawl_code code = s->messages ? check_options(s, err) : pw_no_memory(err);
    if (code == PAWL_OK) {
        (void)pthread_once(&load_once_done, load_once);
        if (load_error[0])
            code = pw_fail(err, PAWL_NOT_FOUND, "%s", load_error);
    }
    if (code != PAWL_OK) {
        nats_close_sink(&s->sink);
        return code;
    }
    *out = &s->sink;
    return PAWL_OK;
}

static const char *nats_target(const pw_sink *sink)
{
    return ((const nats_sink *)sink)->target;
}

/* ------------------------------------------------------------------ connection */

static natsStatus make_options(nats_sink *s, natsOptions **out)
{
    const pawl_sink_options *o = s->options;
    uint64_t timeout_ms =
        pw_sink_timeout_ms(o) < CONNECT_TIMEOUT_MS ? pw_sink_timeout_ms(o) : CONNECT_TIMEOUT_MS;
    natsStatus status = nats.natsOptions_Create(out);
#define TRY(call) (status = status == NATS_OK ? (call) : status)
    TRY(nats.natsOptions_SetServers(*out, s->servers, s->server_count));
    TRY(nats.natsOptions_SetTimeout(*out, (int64_t)timeout_ms));
    TRY(nats.natsOptions_SetName(*out, "pawl"));
    TRY(nats.natsOptions_SetAllowReconnect(*out, false));
    if (pw_sink_given(o->user))
        TRY(nats.natsOptions_SetUserInfo(*out, o->user, o->password));
    if (pw_sink_given(o->token))
        TRY(nats.natsOptions_SetToken(*out, o->token));
    if (s->secure || pw_sink_given(o->ca))
        TRY(nats.natsOptions_SetSecure(*out, true));
    if (pw_sink_given(o->ca))
        TRY(nats.natsOptions_LoadCATrustedCertificates(*out, o->ca));
    return status;
}

static natsStatus connect_now(nats_sink *s)
{
    natsOptions *options = NULL;
    char subject[128];
    natsStatus status = make_options(s, &options);
    TRY(nats.natsConnection_Connect(&s->connection, options));
    TRY(nats.natsInbox_Create(&s->address));
    if (options)
        nats.natsOptions_Destroy(options);
    s->in = status == NATS_OK ? new_inbox(s->message_count) : NULL;
    if (status == NATS_OK && !s->in)
        status = NATS_NO_MEMORY;
    if (status != NATS_OK)
        return status;
    (void)snprintf(subject, sizeof subject, "%s.*", s->address);
    TRY(nats.natsConnection_Subscribe(&s->subscription, s->connection, subject, on_ack, s->in));
#undef TRY
    if (status != NATS_OK)
        return status;
    atomic_fetch_add_explicit(&s->in->users, 1, memory_order_relaxed);
    status = nats.natsSubscription_SetOnCompleteCB(s->subscription, on_complete, s->in);
    if (status != NATS_OK)
        drop_inbox(s->in);
    return status;
}

static bool connect_if_needed(nats_sink *s, pw_sink_event *events, size_t count, pw_arena *arena)
{
    if (s->connection && !nats.natsConnection_IsClosed(s->connection))
        return true;
    disconnect(s);
    natsStatus status = connect_now(s);
    if (status == NATS_OK)
        return true;
    char why[400];
    (void)snprintf(why, sizeof why, "not reached: %.200s: %.150s", s->target, why_of(status));
    disconnect(s);
    pw_sink_fail_whole(events, count, arena, why);
    return false;
}

/* ------------------------------------------------------------------ one message */

/* Text of an event as part of a subject: what cannot be there becomes '_'. */
static size_t add_part(char *out, size_t len, pw_str text, bool dots)
{
    for (size_t i = 0; i < text.len && len < SUBJECT_MAX; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool empty = c == '.' && (i == 0 || i + 1 == text.len || text.ptr[i + 1] == '.');
        out[len++] = c <= ' ' || c == 0x7F || c == '*' || c == '>' || (c == '.' && !dots) || empty
                         ? '_'
                         : (char)c;
    }
    return len;
}

/* False: it is too long. */
static bool make_subject(char out[SUBJECT_MAX], const char *template, const pw_sink_event *event)
{
    size_t len = 0;
    for (const char *at = template; *at && len < SUBJECT_MAX;) {
        if (strncmp(at, "{type}", 6) == 0) {
            len = add_part(out, len, event->type, true);
            at += 6;
        } else if (strncmp(at, "{source}", 8) == 0) {
            len = add_part(out, len, event->source, false);
            at += 8;
        } else {
            out[len++] = *at++;
        }
    }
    if (len >= SUBJECT_MAX)
        return false;
    out[len] = '\0';
    return true;
}

static natsStatus set_headers(natsMsg *m, const pw_sink_event *event, pw_arena *arena)
{
    pw_str id = pw_arena_str(arena, event->id), trace = pw_arena_str(arena, event->trace);
    if (!id.ptr || !trace.ptr)
        return NATS_NO_MEMORY;
    natsStatus status = nats.natsMsgHeader_Set(m, "Nats-Msg-Id", id.ptr);
    if (status == NATS_OK)
        status = nats.natsMsgHeader_Set(m, "content-type",
                                        "application/cloudevents+json; charset=utf-8");
    if (status == NATS_OK && trace.len && strlen(trace.ptr) == trace.len &&
        !strpbrk(trace.ptr, "\r\n"))
        status = nats.natsMsgHeader_Set(m, "traceparent", trace.ptr);
    return status;
}

static natsStatus send_event(batch *b, uint32_t slot, uint64_t number)
{
    nats_sink *s = b->s;
    const pw_sink_event *event = &b->turns.events[s->messages[slot].at];
    natsMsg *m = NULL;
    char address[160];
    if (event->payload.len > INT32_MAX)
        return NATS_MAX_PAYLOAD;
    (void)snprintf(address, sizeof address, "%s.%llu", s->address, (unsigned long long)number);
    natsStatus status = nats.natsMsg_Create(&m, s->messages[slot].subject, address,
                                            event->payload.ptr, (int)event->payload.len);
    if (status == NATS_OK)
        status = set_headers(m, event, b->arena);
    (void)pthread_mutex_lock(&s->in->lock); /* before it is sent: its answer may be there at once */
    s->in->replies[slot] = (reply){ .number = number };
    (void)pthread_mutex_unlock(&s->in->lock);
    if (status == NATS_OK)
        status = nats.natsConnection_PublishMsg(s->connection, m);
    nats.natsMsg_Destroy(m);
    return status;
}

static void forget_reply(nats_sink *s, uint32_t slot)
{
    (void)pthread_mutex_lock(&s->in->lock);
    s->in->replies[slot].number = 0;
    s->in->replies[slot].come = false;
    (void)pthread_mutex_unlock(&s->in->lock);
}

static void begin(batch *b, uint32_t slot, size_t at)
{
    nats_sink *s = b->s;
    message *m = &s->messages[slot];
    pw_sink_event *event = &b->turns.events[at];
    m->at = at;
    if (!make_subject(m->subject, s->subject, event)) {
        pw_sink_fail(event, b->arena, true, "its subject would be longer than %d bytes",
                     SUBJECT_MAX - 1);
        return;
    }
    natsStatus status = send_event(b, slot, ++s->number);
    if (status == NATS_OK) {
        m->busy = true;
        m->deadline_ms = pw_drivers_now_ms() + pw_sink_timeout_ms(s->options);
        b->under_way++;
        return;
    }
    forget_reply(s, slot);
    pw_sink_fail(event, b->arena, status == NATS_MAX_PAYLOAD, "%s: %s",
                 status == NATS_MAX_PAYLOAD ? "larger than the server takes (max_payload)"
                                            : "not sent",
                 why_of(status));
    if (nats.natsConnection_IsClosed(s->connection))
        pw_sink_turns_close(&b->turns, at);
}

/* ------------------------------------------------------------------ its end */

/* {"stream":"S","seq":7,"duplicate":true}, or
 * {"error":{"code":400,"err_code":10054,"description":"..."}}. */
static void judge(batch *b, const message *m, pw_str text)
{
    pw_sink_event *event = &b->turns.events[m->at];
    pw_value v = { 0 };
    pawl_code code = pw_json_parse(&v, text, NULL, b->arena, NULL);
    pw_value error = code == PAWL_OK ? pw_get_lit(v, "error") : (pw_value){ 0 };
    int64_t number = 0;
    if (pw_is(error, PW_OBJECT)) {
        (void)pw_integer(pw_get_lit(error, "err_code"), &number);
        pw_sink_fail(event, b->arena, number == MESSAGE_TOO_LARGE,
                     "subject '%s': JetStream error %lld: " PW_FMT, m->subject, (long long)number,
                     PW_ARG(pw_get_text(error, "description")));
    } else if (pw_get_text(v, "stream").len) {
        event->end = PW_SINK_TAKEN;
    } else {
        pw_sink_fail(event, b->arena, false,
                     "subject '%s': what answered is no stream of JetStream", m->subject);
    }
}

static void finish(batch *b, message *m)
{
    m->busy = false;
    b->under_way--;
}

static void end_those_done(batch *b)
{
    nats_sink *s = b->s;
    for (uint32_t i = 0; i < s->message_count; i++) {
        message *m = &s->messages[i];
        reply r;
        if (!m->busy)
            continue;
        (void)pthread_mutex_lock(&s->in->lock);
        r = s->in->replies[i];
        (void)pthread_mutex_unlock(&s->in->lock);
        if (!r.come)
            continue;
        forget_reply(s, i);
        if (r.nobody)
            pw_sink_fail(&b->turns.events[m->at], b->arena, false,
                         "no stream has the subject '%s': make one, as by `nats stream add "
                         "--subjects '%s'`, or enable JetStream",
                         m->subject, m->subject);
        else
            judge(b, m, (pw_str){ r.text, r.len });
        finish(b, m);
    }
}

/* What is under way and has no answer: of all, or of those that are late. */
static void give_up(batch *b, bool all, bool whole, const char *why)
{
    uint64_t now_ms = pw_drivers_now_ms();
    for (uint32_t i = 0; i < b->s->message_count; i++) {
        message *m = &b->s->messages[i];
        if (!m->busy || (!all && now_ms < m->deadline_ms))
            continue;
        forget_reply(b->s, i);
        pw_sink_fail(&b->turns.events[m->at], b->arena, false, "%s", why);
        if (whole)
            pw_sink_turns_close(&b->turns, m->at);
        finish(b, m);
    }
}

static void give_up_late(batch *b)
{
    char why[300];
    const char *said = NULL;
    (void)nats.natsConnection_GetLastError(b->s->connection, &said);
    (void)snprintf(why, sizeof why, "not acknowledged in %llu ms%s%.200s",
                   (unsigned long long)pw_sink_timeout_ms(b->s->options),
                   pw_sink_given(said) ? ": " : "", pw_sink_given(said) ? said : "");
    give_up(b, false, true, why);
}

static void begin_those_that_may(batch *b)
{
    size_t at;
    for (uint32_t i = 0; i < b->s->message_count; i++) {
        while (!b->s->messages[i].busy && pw_sink_turns_next(&b->turns, &at))
            begin(b, i, at);
    }
}

static void nats_publish(pw_sink *sink, pw_sink_event *events, size_t count,
                         bool (*stop)(void *context), void *context, pw_arena *arena)
{
    nats_sink *s = (nats_sink *)sink;
    batch b = { .s = s, .arena = arena };
    if (!pw_sink_turns_init(&b.turns, events, count, arena)) {
        pw_sink_fail_whole(events, count, arena, "out of memory");
        return;
    }
    if (count == 0 || stop(context) || !connect_if_needed(s, events, count, arena))
        return;
    while (!stop(context)) {
        begin_those_that_may(&b);
        if (b.under_way == 0)
            break;
        wait_for_reply(s->in);
        end_those_done(&b);
        if (nats.natsConnection_IsClosed(s->connection))
            give_up(&b, true, true, "the connection was lost: nobody knows whether it was taken");
        else
            give_up_late(&b);
    }
    give_up(&b, true, false, "not acknowledged: closing");
    pw_sink_turns_end(&b.turns);
    if (b.turns.closed)
        disconnect(s); /* whatever it was: the next one is a new one */
}

const pw_sink_kind pw_sink_nats = { "nats", nats_open_sink, nats_publish, nats_close_sink,
                                    nats_target };
