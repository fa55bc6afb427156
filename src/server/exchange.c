/* exchange.c - the turns of an exchange.
 *
 * A worker takes an exchange out of the queue, calls the handler, and looks at what it did.
 * Answered: the loop is told, which sends it. Parked: the exchange stands in no list, until there
 * is a reason for a turn - woken, late, gone, or the listener stops - and whoever has the reason
 * puts it into the queue, once. A reason that comes while the handler runs is kept and looked at
 * when it has parked, under the same lock: none is lost, whichever comes first. */
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "server/listener_internal.h"

enum {
    HEADERS_MAX =
        1500, /* bytes of headers that an answer may have: see POOL_SPARE in listener_request.c */
    BODY_FIRST = 1024,     /* bytes of the first piece of memory for a body */
    ARENA_MAX = 64 << 20,  /* bytes: a handler's mistake is found there */
    PARK_MS_MAX = 1 << 30, /* twelve days */
};

/* ---- what the handler asks */

pw_method pw_exchange_method(const pw_exchange *exchange)
{
    return exchange->method;
}

pw_str pw_exchange_method_name(const pw_exchange *exchange)
{
    return exchange->method_name;
}

pw_str pw_exchange_path(const pw_exchange *exchange)
{
    return exchange->path;
}

pw_str pw_exchange_query(const pw_exchange *exchange)
{
    return exchange->query;
}

/* libmicrohttpd leaves white space behind a value. */
static pw_str value_of(const char *value, size_t len)
{
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        len--;
    return (pw_str){ value ? value : "", len };
}

/* libmicrohttpd does not touch a request's headers while its connection is suspended, so a worker
 * may read them. */
pw_str pw_exchange_header(const pw_exchange *exchange, const char *name)
{
    const char *value = NULL;
    size_t len = 0;
    if (MHD_lookup_connection_value_n(exchange->connection->mhd, MHD_HEADER_KIND, name,
                                      strlen(name), &value, &len) != MHD_YES)
        return (pw_str){ NULL, 0 };
    return value_of(value, len);
}

typedef struct each_header {
    void (*each)(void *context, pw_str name, pw_str value);
    void *context;
} each_header;

static enum MHD_Result tell_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_len, const char *value, size_t value_len)
{
    const each_header *e = context;
    (void)kind;
    e->each(e->context, (pw_str){ name, name_len }, value_of(value, value_len));
    return MHD_YES;
}

void pw_exchange_headers(const pw_exchange *exchange,
                         void (*each)(void *context, pw_str name, pw_str value), void *context)
{
    each_header e = { each, context };
    (void)MHD_get_connection_values_n(exchange->connection->mhd, MHD_HEADER_KIND, tell_header, &e);
}

pw_str pw_exchange_body(const pw_exchange *exchange)
{
    return (pw_str){ exchange->body ? exchange->body : "", exchange->body_len };
}

bool pw_exchange_secure(const pw_exchange *exchange)
{
    return exchange->listener->secure;
}

pw_str pw_exchange_peer(const pw_exchange *exchange)
{
    return pw_str_of(exchange->connection->peer);
}

pw_arena *pw_exchange_arena(pw_exchange *exchange)
{
    return &exchange->arena;
}

void **pw_exchange_own(pw_exchange *exchange)
{
    return &exchange->own;
}

const char **pw_exchange_label(pw_exchange *exchange)
{
    return &exchange->label;
}

void **pw_exchange_span(pw_exchange *exchange)
{
    return &exchange->span;
}

uint64_t pw_exchange_age_us(const pw_exchange *exchange)
{
    return pw_http_now_us() - exchange->begun_us;
}

uint64_t pw_exchange_number(const pw_exchange *exchange)
{
    return exchange->number;
}

/* The socket stays open until the answer, so its descriptor is this connection's. */
bool pw_exchange_alive(pw_exchange *exchange)
{
    struct pollfd socket = { .fd = exchange->connection->fd, .events = POLLRDHUP };
    return poll(&socket, 1, 0) <= 0 || !(socket.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* ---- its life */

/* "/path?query"; "http://host/path?query" means the same. What is none of these is left with an
 * empty path. */
static void read_target(pw_exchange *x, pw_str target)
{
    if (pw_str_starts(target, PW_LIT("http://")) || pw_str_starts(target, PW_LIT("https://"))) {
        const char *host = memchr(target.ptr, ':', target.len);
        size_t from = (size_t)(host - target.ptr) + 3;
        while (from < target.len && target.ptr[from] != '/' && target.ptr[from] != '?')
            from++;
        target = (pw_str){ target.ptr + from, target.len - from };
    } else if (target.len == 0 || (target.ptr[0] != '/' && !pw_str_is(target, "*"))) {
        return;
    }
    for (size_t i = 0; i < target.len; i++)
        if ((unsigned char)target.ptr[i] <= ' ' || target.ptr[i] == 0x7f)
            return;
    const char *mark = target.len ? memchr(target.ptr, '?', target.len) : NULL;
    x->path = (pw_str){ target.ptr, mark ? (size_t)(mark - target.ptr) : target.len };
    if (mark)
        x->query = (pw_str){ mark + 1, target.len - x->path.len - 1 };
    if (x->path.len == 0)
        x->path = PW_LIT("/");
}

pw_exchange *pw_exchange_new(pw_connection *connection, const char *target)
{
    pw_str text = pw_str_of(target);
    pw_exchange *x =
        text.len < SIZE_MAX - sizeof *x - 1 ? pw_zalloc(sizeof *x + text.len + 1) : NULL;
    if (!x)
        return NULL;
    if (text.len)
        memcpy(x->target, text.ptr, text.len);
    x->connection = connection;
    x->listener = connection->listener;
    x->number = ++x->listener->next_number;
    x->begun_us = pw_http_now_us();
    x->refusal = PW_REFUSE_NOT;
    x->headers_end = &x->headers;
    pw_arena_init(&x->arena, ARENA_MAX);
    x->path = x->query = PW_LIT("");
    read_target(x, (pw_str){ x->target, text.len });
    return x;
}

static void drop_body(pw_exchange *x)
{
    if (!x->body)
        return;
    pw_listener *l = x->listener;
    (void)pthread_mutex_lock(&l->lock);
    l->counts.body_bytes -= x->body_size;
    (void)pthread_mutex_unlock(&l->lock);
    pw_free(x->body);
    x->body = NULL;
    x->body_len = x->body_size = 0;
}

void pw_exchange_free(pw_exchange *x)
{
    if (!x)
        return;
    pw_listener *l = x->listener;
    PW_ASSERT(x->state < EXCHANGE_QUEUED || x->state == EXCHANGE_ANSWERED);
    drop_body(x);
    if (x->answer)
        MHD_destroy_response(x->answer);
    pw_arena_done(&x->arena);
    if (x->carried) {
        (void)pthread_mutex_lock(&l->lock);
        l->carried--;
        (void)pthread_cond_broadcast(&l->less);
        (void)pthread_mutex_unlock(&l->lock);
    }
    pw_free(x);
}

/* Memory for `size` bytes of body, as far as all bodies together allow. */
static bool reserve_body(pw_exchange *x, size_t size)
{
    pw_listener *l = x->listener;
    size_t more = size - x->body_size;
    (void)pthread_mutex_lock(&l->lock);
    bool room = more <= l->options.bodies_max - l->counts.body_bytes;
    if (room)
        l->counts.body_bytes += more;
    (void)pthread_mutex_unlock(&l->lock);
    if (!room) {
        x->refusal = PW_REFUSE_BODIES;
        return false;
    }
    char *body = pw_realloc(x->body, size);
    if (!body) {
        (void)pthread_mutex_lock(&l->lock);
        l->counts.body_bytes -= more;
        (void)pthread_mutex_unlock(&l->lock);
        x->refusal = PW_REFUSE_MEMORY;
        return false;
    }
    x->body = body;
    x->body_size = size;
    return true;
}

bool pw_exchange_more_body(pw_exchange *x, const char *bytes, size_t len)
{
    size_t max = x->listener->options.body_max;
    bool fits = len <= max - x->body_len;
    if (!fits)
        x->refusal = PW_REFUSE_BODY;
    if (fits && x->body_len + len > x->body_size) {
        size_t size = x->body_size > max / 2 ? max : x->body_size * 2;
        size = size < BODY_FIRST ? BODY_FIRST : size;
        fits = reserve_body(x, size < x->body_len + len ? x->body_len + len : size);
    }
    if (!fits) {
        drop_body(x);
        return false;
    }
    memcpy(x->body + x->body_len, bytes, len);
    x->body_len += len;
    return true;
}

/* ---- turns; all of these under the lock */

static void enqueue(pw_listener *l, pw_exchange *x)
{
    PW_ASSERT(x->state != EXCHANGE_QUEUED && x->state != EXCHANGE_ANSWERED);
    if (x->state == EXCHANGE_PARKED)
        l->counts.parked--;
    x->state = EXCHANGE_QUEUED;
    x->queue_next = NULL;
    *l->queue_end = x;
    l->queue_end = &x->queue_next;
    l->counts.queued++;
    (void)pthread_cond_signal(&l->work);
}

static pw_exchange *dequeue(pw_listener *l)
{
    pw_exchange *x = l->queue;
    l->queue = x->queue_next;
    if (!l->queue)
        l->queue_end = &l->queue;
    l->counts.queued--;
    return x;
}

/* True: the loop must be woken, once the lock is free. If something was there before, it will come
 * anyway. */
static bool post(pw_listener *l, pw_exchange *x)
{
    if (x->posted)
        return false;
    bool first = !l->posts;
    x->posted = true;
    x->post_next = NULL;
    *l->posts_end = x;
    l->posts_end = &x->post_next;
    return first;
}

static bool has_reason(const pw_listener *l, const pw_exchange *x)
{
    return x->first || x->gone || l->stopping || x->woken || x->late;
}

static pw_turn next_turn(const pw_listener *l, pw_exchange *x)
{
    PW_ASSERT(has_reason(l, x));
    pw_turn turn = x->first      ? PW_TURN_FIRST
                   : x->gone     ? PW_TURN_GONE
                   : l->stopping ? PW_TURN_STOPPING
                   : x->woken    ? PW_TURN_WOKEN
                                 : PW_TURN_TIMEOUT;
    if (!x->first) /* a wake before the first turn is for what it will park for */
        x->woken = x->late = false;
    x->first = false;
    return turn;
}

/* What the turn led to. True: the loop must be woken. */
static bool settle(pw_listener *l, pw_exchange *x)
{
    if (x->answered) {
        x->state = EXCHANGE_ANSWERED;
        l->busy--;
        (void)pthread_cond_broadcast(&l->less);
        return post(l, x);
    }
    if (has_reason(l, x)) {
        enqueue(l, x); /* behind the others */
        return false;
    }
    x->state = EXCHANGE_PARKED;
    l->counts.parked++;
    return post(l, x); /* its time is kept by the loop */
}

static void carry_out(pw_listener *l, pw_exchange *x)
{
    pw_turn turn = next_turn(l, x);
    x->state = EXCHANGE_RUNNING;
    x->parking = false;
    l->counts.running++;
    (void)pthread_mutex_unlock(&l->lock);

    l->handler(l->context, x, turn);
    PW_ASSERT(x->answered != x->parking); /* exactly one of them */
    PW_ASSERT(x->answered || (turn != PW_TURN_GONE && turn != PW_TURN_STOPPING));
    drop_body(x);

    (void)pthread_mutex_lock(&l->lock);
    l->counts.running--;
    bool wake = settle(l, x); /* it may be the loop's from here on */
    if (wake) {
        (void)pthread_mutex_unlock(&l->lock);
        pw_http_wake_loop(l);
        (void)pthread_mutex_lock(&l->lock);
    }
}

void *pw_exchange_work(void *listener)
{
    pw_listener *l = listener;
    (void)pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->queue && !l->quit)
            (void)pthread_cond_wait(&l->work, &l->lock);
        if (!l->queue)
            break;
        carry_out(l, dequeue(l));
    }
    (void)pthread_mutex_unlock(&l->lock);
    return NULL;
}

void pw_exchange_begin(pw_exchange *x)
{
    pw_listener *l = x->listener;
    (void)pthread_mutex_lock(&l->lock);
    x->first = x->carried = true;
    l->carried++;
    l->busy++;
    l->counts.requests++;
    enqueue(l, x);
    (void)pthread_mutex_unlock(&l->lock);
}

/* A reason is noted; who is parked has a turn for it. */
static void give_reason(pw_exchange *x, bool *reason)
{
    pw_listener *l = x->listener;
    (void)pthread_mutex_lock(&l->lock);
    if (reason)
        *reason = true;
    if (x->state == EXCHANGE_PARKED)
        enqueue(l, x);
    (void)pthread_mutex_unlock(&l->lock);
}

void pw_exchange_wake(pw_exchange *x)
{
    give_reason(x, &x->woken);
}

void pw_exchange_lost(pw_exchange *x)
{
    give_reason(x, &x->gone);
}

void pw_exchange_stop(pw_exchange *x)
{
    give_reason(x, NULL); /* the listener's own */
}

void pw_exchange_late(pw_exchange *x, uint64_t now_ms)
{
    pw_listener *l = x->listener;
    (void)pthread_mutex_lock(&l->lock);
    if (x->state == EXCHANGE_PARKED && x->park_ms <= now_ms) {
        x->late = true;
        enqueue(l, x);
    }
    (void)pthread_mutex_unlock(&l->lock);
}

uint64_t pw_exchange_parked(pw_exchange *x)
{
    pw_listener *l = x->listener;
    (void)pthread_mutex_lock(&l->lock);
    uint64_t until = x->state == EXCHANGE_PARKED ? x->park_ms : UINT64_MAX;
    (void)pthread_mutex_unlock(&l->lock);
    return until;
}

/* ---- what the handler does */

void pw_exchange_park(pw_exchange *x, uint64_t timeout_ms)
{
    PW_ASSERT(!x->answered && !x->parking);
    x->parking = true;
    x->park_ms = pw_http_now_ms() + (timeout_ms < PARK_MS_MAX ? timeout_ms : PARK_MS_MAX);
}

static bool is_token(pw_str name)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c && strchr(others, c))))
            return false;
    }
    return name.len > 0;
}

/* What this file and libmicrohttpd write themselves. */
static bool is_ours(pw_str name)
{
    static const char *const ours[] = { "connection",        "content-length",
                                        "content-type",      "date",
                                        "keep-alive",        "trailer",
                                        "transfer-encoding", "upgrade" };
    for (size_t i = 0; i < PW_LENGTH(ours); i++)
        if (name.len == strlen(ours[i]) && strncasecmp(name.ptr, ours[i], name.len) == 0)
            return true;
    return false;
}

static bool is_value(pw_str value)
{
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.ptr[i] < ' ' || value.ptr[i] == 0x7f)
            return false;
    return value.len > 0;
}

bool pw_exchange_put(pw_exchange *x, const char *name, pw_str value)
{
    pw_str key = pw_str_of(name);
    PW_ASSERT(!x->answered);
    if (!is_token(key) || is_ours(key) || !is_value(value) ||
        key.len + value.len + 4 > HEADERS_MAX - x->headers_len)
        return false;
    pw_answer_header *header = PW_NEW(&x->arena, pw_answer_header);
    pw_str key_copy = pw_arena_str(&x->arena, key), value_copy = pw_arena_str(&x->arena, value);
    if (!header || !key_copy.ptr || !value_copy.ptr)
        return false;
    *header = (pw_answer_header){ NULL, key_copy.ptr, value_copy.ptr };
    *x->headers_end = header;
    x->headers_end = &header->next;
    x->headers_len += key.len + value.len + 4;
    return true;
}

/* NULL: no memory. */
static struct MHD_Response *body_response(pw_str body)
{
    if (body.len == 0)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    char *copy = pw_strdup(body);
    if (!copy)
        return NULL;
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(body.len, copy, pw_free);
    if (!response)
        pw_free(copy);
    return response;
}

void pw_exchange_answer(pw_exchange *x, unsigned status, const char *type, pw_str body)
{
    PW_ASSERT(!x->answered && !x->parking);
    PW_ASSERT(status >= 200 && status <= 599);
    PW_ASSERT(!type || is_value(pw_str_of(type)));
    x->answered = true;
    x->status = status;
    bool bodiless = !type || status == 204 || status == 304;
    struct MHD_Response *response = body_response(bodiless ? PW_LIT("") : body);
    if (!response)
        return; /* the loop answers that there is no memory */
    bool whole = bodiless ||
                 MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES;
    for (const pw_answer_header *h = x->headers; h && whole; h = h->next)
        whole = MHD_add_response_header(response, h->name, h->value) == MHD_YES;
    if (whole)
        x->answer = response;
    else
        MHD_destroy_response(response);
}
