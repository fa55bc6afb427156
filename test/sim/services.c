/* services.c - http.h, played, and the services at the other end.
 *
 * A request travels, is lost on the way or arrives; the service keeps the answers of its keys, as a
 * good one does, or has forgotten them; the answer travels back and is lost, late or in time. The
 * services belong to the world: they go on when the node that asked is dead, or asks no longer. */
#include <stdlib.h>
#include "sim.h"
#include "drivers/http.h"

enum { TIMEOUT_MS = 60000, SERVED_MAX = 4096 };

typedef struct exchange {
    pw_http_call *call;
    struct exchange *later;
    uint64_t number;
    uint64_t deadline_ns; /* true time */
    uint64_t due_ns;      /* when its end is known; UINT64_MAX: not yet */
    bool answered, cancelled;
    int32_t status;
    uint64_t value;
    const char *why;
} exchange;

struct pw_http {
    sim_node *node;
    pw_http_done_fn on_done;
    void *context;
    uint64_t timeout_ms;
    exchange *first;
    bool stop;
    sim_thread thread;
};

/* A request on its way; nothing of it is the node's. */
typedef struct parcel {
    sim_node *node;
    uint32_t life;
    pw_http *http;
    uint64_t number;
    char *instance, *key, *request;
    uint64_t visit;
    int32_t status;
    uint64_t value;
    bool answered;
} parcel;

/* What a service remembers of a key. */
static struct {
    char *key;
    uint64_t value;
} served[SERVED_MAX];
static uint32_t served_count;
static uint64_t exchange_number, underway;
static pw_http *drivers[SIM_NODES_MAX]; /* of the nodes that have one now */

uint64_t sim_services_busy(void)
{
    return underway;
}

pw_http_call *pw_http_call_new(void)
{
    pw_http_call *call = pw_zalloc(sizeof *call);
    if (call)
        pw_arena_init(&call->arena, 0);
    return call;
}

void pw_http_call_free(pw_http_call *call)
{
    if (!call)
        return;
    pw_arena_done(&call->arena);
    pw_free(call);
}

/* ------------------------------------------------------------------ the service */

static void drop(parcel *p)
{
    underway--;
    free(p->instance);
    free(p->key);
    free(p->request);
    free(p);
}

/* The answer comes back to the node, if it is still there and asks for it. */
static void arrive_back(void *context)
{
    parcel *p = context;
    bool there = sim_is_same(p->node, p->life) && drivers[p->node->number - 1] == p->http;
    exchange *x = there ? p->http->first : NULL;
    while (x && x->number != p->number)
        x = x->later;
    if (x && x->due_ns == UINT64_MAX) {
        x->due_ns = sim_now_ns;
        x->answered = p->answered;
        x->status = p->status;
        x->value = p->value;
        x->why = "the connection was reset";
        sim_wake(p->http);
    }
    drop(p);
}

static uint64_t effect_of(const parcel *p)
{
    for (uint32_t i = 0; i < served_count; i++)
        if (strcmp(served[i].key, p->key) == 0)
            return served[i].value;
    PW_ASSERT(served_count < SERVED_MAX);
    served[served_count].key = sim_copy(pw_str_of(p->key));
    served[served_count].value = sim_below(SIM_SERVICE, 100);
    return served[served_count++].value;
}

static int32_t draw_status(void)
{
    static const int32_t bad[] = { 400, 404, 409, 429, 500, 502, 503, 503, 504 };
    return sim_fault(SIM_HTTP, SIM_SERVICE, 200) ? bad[sim_below(SIM_SERVICE, PW_LENGTH(bad))]
                                                 : 200;
}

static uint64_t travel_ns(void)
{
    if (sim_fault(SIM_HTTP, SIM_SERVICE, 50)) /* perhaps longer than anybody waits */
        return sim_below(SIM_SERVICE, 100 * SIM_S);
    return sim_below(SIM_SERVICE, sim_chance(SIM_SERVICE, 100) ? 3 * SIM_S : 30 * SIM_MS);
}

static void arrive(void *context)
{
    parcel *p = context;
    sim_out->requests++;
    sim_note("service: i%u visit %llu", sim_alias(pw_str_of(p->instance)),
             (unsigned long long)p->visit);
    sim_ledger_request(pw_str_of(p->instance), pw_str_of(p->key), pw_str_of(p->request));
    p->status = draw_status();
    bool takes_effect = p->status == 200 || sim_chance(SIM_SERVICE, 200);
    p->value = takes_effect ? effect_of(p) : 0;
    p->answered = !sim_fault(SIM_HTTP, SIM_SERVICE, 40);
    if (sim_fault(SIM_HTTP, SIM_SERVICE, 30)) {
        drop(p); /* no answer ever */
        return;
    }
    sim_at(sim_now_ns + travel_ns(), arrive_back, p);
}

/* ------------------------------------------------------------------ the driver */

static pw_call_result result_of(exchange *x)
{
    pw_arena *arena = &x->call->arena;
    pw_call_result r = { .duration_ms = 1 };
    if (x->answered) {
        static const pw_header headers[] = { { PW_LIT("content-type"), PW_LIT("application/json") },
                                             { PW_LIT("retry-after"), PW_LIT("2") } };
        r.answered = true;
        r.status = x->status;
        r.headers = headers;
        r.header_count = x->status == 429 || x->status == 503 ? 2 : 1;
        r.body = pw_arena_printf(arena, "{\"value\":%llu}", (unsigned long long)x->value);
    } else {
        r.timed_out = x->due_ns == UINT64_MAX;
        r.error = pw_arena_printf(arena, "%s", r.timed_out ? "no answer in time" : x->why);
    }
    return r;
}

static void end(pw_http *http, exchange *x)
{
    exchange **at = &http->first;
    while (*at != x)
        at = &(*at)->later;
    *at = x->later;
    pw_http_call *call = x->call;
    call->cancelled = x->cancelled;
    if (!x->cancelled)
        call->result = result_of(x);
    sim_note("http: i%u visit %llu attempt %u: %s %d", sim_alias(call->instance),
             (unsigned long long)call->visit, call->attempt,
             x->cancelled  ? "cancelled"
             : x->answered ? "answered"
                           : "no answer",
             (int)x->status);
    pw_free(x);
    sim_point("http-before-result");
    if (sim_settings.plant == SIM_PLANT_LOST_RESULT && sim_chance(SIM_SERVICE, 100))
        return;
    http->on_done(http->context, call);
}

static void drive(void *context)
{
    pw_http *http = context;
    for (;;) {
        exchange *due = NULL;
        uint64_t next = UINT64_MAX;
        for (exchange *x = http->first; x; x = x->later) {
            uint64_t at = x->cancelled || http->stop   ? 0
                          : x->due_ns < x->deadline_ns ? x->due_ns
                                                       : x->deadline_ns;
            if (at <= sim_now_ns && !due)
                due = x;
            if (at < next)
                next = at;
        }
        if (due) {
            due->cancelled = due->cancelled || http->stop;
            end(http, due);
        } else if (http->stop) {
            return;
        } else {
            (void)sim_wait(http, next);
        }
    }
}

static void send(pw_http *http, const exchange *x)
{
    const pw_http_call *call = x->call;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_str request = pw_call_request_text(&arena, &call->request);
    parcel *p = sim_alloc(sizeof *p);
    *p = (parcel){ .node = http->node,
                   .life = http->node->life,
                   .http = http,
                   .number = x->number,
                   .instance = sim_copy(call->instance),
                   .key = sim_copy(call->key),
                   .request = sim_copy(request),
                   .visit = call->visit };
    if (sim_settings.plant == SIM_PLANT_OTHER_KEY && sim_chance(SIM_SERVICE, 50))
        p->key[0] = p->key[0] == 'z' ? 'y' : 'z';
    if (sim_settings.plant == SIM_PLANT_OTHER_BYTES && call->attempt + x->number % 3 > 1)
        p->request[request.len / 2] ^= 1;
    pw_arena_done(&arena);
    underway++;
    sim_at(sim_now_ns + travel_ns(), arrive, p);
}

pawl_code pw_http_new(pw_http **out, const pw_http_options *options, pw_http_done_fn on_done,
                      void *context, pawl_error *err)
{
    pw_http *http = pw_zalloc(sizeof *http);
    if (!http)
        return pw_no_memory(err);
    http->node = sim_self();
    http->on_done = on_done;
    http->context = context;
    http->timeout_ms = options && options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
    http->thread = sim_spawn(http->node, "http", drive, http);
    drivers[http->node->number - 1] = http;
    *out = http;
    return PAWL_OK;
}

void pw_http_start(pw_http *http, pw_http_call *call)
{
    sim_point("http-before-send");
    exchange *x = pw_zalloc(sizeof *x);
    PW_ASSERT(x != NULL);
    uint64_t timeout_ms = call->timeout_ms ? call->timeout_ms : http->timeout_ms;
    *x = (exchange){ .call = call,
                     .later = http->first,
                     .number = ++exchange_number,
                     .deadline_ns = sim_now_ns + timeout_ms * SIM_MS,
                     .due_ns = UINT64_MAX };
    http->first = x;
    if (sim_fault(SIM_HTTP, SIM_SERVICE, 50)) {
        x->due_ns = sim_now_ns + sim_below(SIM_SERVICE, SIM_S);
        x->why = "the connection was refused";
    } else {
        send(http, x);
        if (sim_fault(SIM_HTTP, SIM_SERVICE, 30)) /* the network brings it twice */
            send(http, x);
    }
    sim_wake(http);
}

void pw_http_cancel(pw_http *http, pw_str instance, uint64_t visit)
{
    for (exchange *x = http->first; x; x = x->later)
        if (x->call->visit == visit && pw_str_eq(x->call->instance, instance))
            x->cancelled = true;
    sim_wake(http);
}

uint32_t pw_http_in_flight(pw_http *http)
{
    uint32_t count = 0;
    for (const exchange *x = http->first; x; x = x->later)
        count++;
    return count;
}

void pw_http_free(pw_http *http)
{
    if (!http)
        return;
    http->stop = true;
    sim_wake(http);
    sim_join(http->thread);
    PW_ASSERT(http->first == NULL);
    drivers[http->node->number - 1] = NULL;
    pw_free(http);
}

/* ---- circuit breakers: this driver has none, as one that nobody has told of any */

void pw_http_on_breaker(pw_http *http, pw_http_breaker_fn on_breaker)
{
    (void)http, (void)on_breaker;
}

void pw_http_wake(pw_http *http)
{
    (void)http;
}

pawl_code pw_http_breaker_told(pw_http *http, const pw_breaker_record *record, bool ours, pawl_error *err)
{
    (void)http, (void)record, (void)ours, (void)err;
    return PAWL_OK;
}

pawl_code pw_http_services(pw_http *http, pw_http_service **out, size_t *count, pw_arena *arena, pawl_error *err)
{
    (void)http, (void)arena, (void)err;
    *out = NULL;
    *count = 0;
    return PAWL_OK;
}

bool pw_http_look(pw_http *http, pw_str instance, uint64_t visit, pw_http_place *out, pw_arena *arena)
{
    (void)http, (void)instance, (void)visit, (void)out, (void)arena;
    return false;
}

pw_str pw_http_service_name(pw_arena *arena, pw_str uri)
{
    (void)arena;
    return uri;
}
