/* services.c - http.h, played, and the services at the other end.
 *
 * Who may be asked when is the real driver's (http_services.c): queues, breakers, places, rates. A request that is sent
 * travels, is lost on the way or arrives; the service keeps the answers of its keys, as a good one does, or has forgotten
 * them, and is down for a while now and then; the answer travels back and is lost, late or in time. The services belong to
 * the world: they go on when the node that asked is dead, or asks no longer. */
#include <stdlib.h>
#include <curl/curl.h> /* before base.h, which forbids names that it declares */
#include "sim.h"
#include "drivers/http_services.h"

enum { TIMEOUT_MS = 60000, POLL_MS = 60000, SERVED_MAX = 4096, SERVICES = 3 };

typedef struct exchange {
    pw_http_transfer transfer; /* first: the call is in it */
    struct exchange *later;
    uint64_t number;
    uint64_t deadline_ns; /* true time, once it is sent */
    uint64_t due_ns;      /* when its end is known; UINT64_MAX: not yet */
    bool answered, cancelled, unsent;
    int32_t status;
    uint64_t value, sent_ns;
    pw_error_class class_; /* without an answer */
    const char *why;
} exchange;

struct pw_http {
    sim_node *node;
    pw_http_done_fn on_done;
    pw_http_breaker_fn on_breaker;
    void *context;
    uint64_t timeout_ms;
    pw_http_table services;
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
    uint32_t attempt, service;
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

/* A service works, or does not, for a while. */
typedef enum fate { WORKS, FAILS, THROTTLES, RESETS, IS_SILENT } fate;
static struct {
    fate is;
    uint64_t until_ns;
} fates[SERVICES];

static uint64_t exchange_number, underway;
static pw_http *drivers[SIM_NODES_MAX]; /* of the nodes that have one now */

uint64_t sim_services_busy(void)
{
    return underway;
}

pw_http_call *pw_http_call_new(void)
{
    exchange *x = pw_zalloc(sizeof *x);
    if (!x)
        return NULL;
    pw_arena_init(&x->transfer.call.arena, 0);
    return &x->transfer.call;
}

void pw_http_call_free(pw_http_call *call)
{
    if (!call)
        return;
    pw_arena_done(&call->arena);
    pw_free(call);
}

pw_str pw_http_call_service(const pw_http_call *call)
{
    return call->service;
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
        x->class_ = PW_CLASS_CONNECTION;
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

/* How the service is now. */
static fate fate_of(uint32_t service)
{
    static const fate bad[] = { FAILS, FAILS, THROTTLES, RESETS, IS_SILENT };
    if (sim_healed || sim_settings.off[SIM_HTTP])
        return WORKS;
    if (sim_now_ns >= fates[service].until_ns) {
        bool down = fates[service].until_ns > 0 && fates[service].is == WORKS && sim_chance(SIM_SERVICE, 600);
        fates[service].is = down ? bad[sim_below(SIM_SERVICE, PW_LENGTH(bad))] : WORKS;
        fates[service].until_ns = sim_now_ns + (1 + sim_below(SIM_SERVICE, down ? 20 : 6)) * SIM_S;
        if (down)
            sim_note("service %u is down, in the way %d, for %llu s", service, (int)fates[service].is,
                     (unsigned long long)((fates[service].until_ns - sim_now_ns) / SIM_S));
    }
    return fates[service].is;
}

static int32_t draw_status(fate is)
{
    static const int32_t bad[] = { 400, 404, 409, 429, 500, 502, 503, 503, 504 };
    if (is == FAILS)
        return 500 + (int32_t)sim_below(SIM_SERVICE, 5) % 4;
    if (is == THROTTLES)
        return 429;
    return sim_fault(SIM_HTTP, SIM_SERVICE, 150) ? bad[sim_below(SIM_SERVICE, PW_LENGTH(bad))]
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
    fate is = fate_of(p->service);
    sim_out->requests++;
    sim_note("service: i%u visit %llu attempt %u, key %s", sim_alias(pw_str_of(p->instance)),
             (unsigned long long)p->visit, p->attempt, p->key);
    sim_ledger_request(pw_str_of(p->instance), pw_str_of(p->key), pw_str_of(p->request));
    p->status = draw_status(is);
    bool takes_effect = p->status == 200 || sim_chance(SIM_SERVICE, 200);
    p->value = takes_effect ? effect_of(p) : 0;
    sim_ledger_effect(pw_str_of(p->instance), pw_str_of(p->key), p->status == 200);
    p->answered = is != RESETS && !sim_fault(SIM_HTTP, SIM_SERVICE, 40);
    if (is == IS_SILENT || sim_fault(SIM_HTTP, SIM_SERVICE, 30)) {
        drop(p); /* no answer ever */
        return;
    }
    sim_at(sim_now_ns + travel_ns(), arrive_back, p);
}

/* ------------------------------------------------------------------ results */

static pw_call_result result_of(exchange *x)
{
    pw_arena *arena = &x->transfer.call.arena;
    pw_call_result r = { .duration_ms = x->sent_ns ? (sim_now_ns - x->sent_ns) / SIM_MS : 0 };
    if (x->answered) {
        static const pw_header headers[] = { { PW_LIT("content-type"), PW_LIT("application/json") },
                                             { PW_LIT("retry-after"), PW_LIT("2") } };
        r.answered = true;
        r.status = x->status;
        r.headers = headers;
        r.header_count = x->status == 429 || x->status == 503 ? 2 : 1;
        r.body = pw_arena_printf(arena, "{\"value\":%llu}", (unsigned long long)x->value);
        return r;
    }
    r.timed_out = !x->why;
    r.class_ = r.timed_out ? PW_CLASS_TIMEOUT : x->class_;
    r.unsent = x->unsent;
    r.error = pw_arena_printf(arena, "%s", r.timed_out ? "no answer in time" : x->why);
    return r;
}

/* What an end tells of the service, as in http.c. */
static pw_call_verdict verdict_of(const exchange *x)
{
    const pw_call_result *r = &x->transfer.call.result;
    if (x->cancelled)
        return PW_VERDICT_NONE;
    if (r->answered && r->status < 400)
        return PW_VERDICT_GOOD;
    return pw_error_class_breaks(r->answered ? pw_error_class_of_answer(r->status) : r->class_) ? PW_VERDICT_BAD
                                                                                                 : PW_VERDICT_GOOD;
}

/* ------------------------------------------------------------------ the driver */

static int64_t wall_of(const pw_http *http)
{
    return (int64_t)sim_wall_ms(http->node);
}

static void wish(const pw_http *http, pw_http_step *step)
{
    step->want.reason = pw_str_of(step->reason);
    sim_note("breaker of " PW_FMT " is to be %s: %s", PW_ARG(step->want.service),
             pw_breaker_state_name(step->want.state), step->reason);
    if (http->on_breaker)
        http->on_breaker(http->context, &step->want);
}

static void end(pw_http *http, exchange *x)
{
    pw_http_step step = { .kind = PW_STEP_NONE };
    exchange **at = &http->first;
    while (*at != x)
        at = &(*at)->later;
    *at = x->later;
    pw_http_call *call = &x->transfer.call;
    call->cancelled = x->cancelled;
    if (!x->cancelled)
        call->result = result_of(x);
    if (x->transfer.sent)
        pw_http_services_ended(&http->services, &x->transfer, verdict_of(x), wall_of(http), &step);
    else if (x->transfer.service)
        pw_http_services_leave(&http->services, &x->transfer, wall_of(http));
    bool parked = sim_ledger_is_parked(call->instance);
    if (!x->cancelled && !x->answered && !call->result.unsent)
        sim_ledger_unknown(call->instance, call->visit, call->attempt);
    sim_note("http: i%u visit %llu attempt %u: %s %d", sim_alias(call->instance),
             (unsigned long long)call->visit, call->attempt,
             x->cancelled          ? "cancelled"
             : x->answered         ? "answered"
             : call->result.unsent ? "not sent"
                                   : "no answer",
             (int)x->status);
    sim_point("http-before-result");
    if (step.kind == PW_STEP_WISH)
        wish(http, &step);
    if (sim_settings.plant == SIM_PLANT_LOST_RESULT && sim_chance(SIM_SERVICE, 100))
        return;
    if (sim_settings.plant == SIM_PLANT_LOST_PARKED && parked && !call->cancelled)
        return;
    http->on_done(http->context, call);
}

static uint32_t service_number(pw_str uri)
{
    static const char *const hosts[SERVICES] = { "http://service0.", "http://service1.", "http://service2." };
    for (uint32_t i = 0; i < SERVICES; i++)
        if (pw_str_starts(uri, pw_str_of(hosts[i])))
            return i;
    sim_violation("a request goes to " PW_FMT ", which is none of the services", PW_ARG(uri));
}

static void travel(pw_http *http, const exchange *x)
{
    const pw_http_call *call = &x->transfer.call;
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
                   .visit = call->visit,
                   .attempt = call->attempt,
                   .service = service_number(call->request.uri) };
    if (sim_settings.plant == SIM_PLANT_OTHER_KEY && sim_chance(SIM_SERVICE, 50))
        p->key[0] = p->key[0] == 'z' ? 'y' : 'z';
    if (sim_settings.plant == SIM_PLANT_NEW_KEY && call->attempt > 1)
        p->key[0] = p->key[0] == 'z' ? 'y' : 'z';
    if (sim_settings.plant == SIM_PLANT_OTHER_BYTES && call->attempt + x->number % 3 > 1)
        p->request[request.len / 2] ^= 1;
    pw_arena_done(&arena);
    underway++;
    sim_at(sim_now_ns + travel_ns(), arrive, p);
}

/* Nothing goes through a door that is shut, but its probe. */
static void check_door(const exchange *x)
{
    const pw_breaker *b = &x->transfer.service->breaker;
    bool shut = b->forced == PW_BREAKER_AUTO ? b->state != PW_BREAKER_CLOSED && !x->transfer.probe
                                             : b->forced == PW_BREAKER_FORCED_OPEN;
    if (shut)
        sim_violation("i%u: a request is sent to " PW_FMT ", whose breaker is %s", sim_alias(x->transfer.call.instance),
                      PW_ARG(x->transfer.service->name), pw_breaker_state_name(b->state));
}

static void transmit(pw_http *http, exchange *x)
{
    const pw_http_call *call = &x->transfer.call;
    uint64_t timeout_ms = call->timeout_ms ? call->timeout_ms : http->timeout_ms;
    check_door(x);
    sim_point("http-before-send");
    x->sent_ns = sim_now_ns;
    sim_ledger_sent(call->instance, call->visit, call->attempt);
    if (sim_settings.plant == SIM_PLANT_ASKED_TWICE)
        sim_ledger_sent(call->instance, call->visit, call->attempt);
    x->deadline_ns = sim_now_ns + timeout_ms * SIM_MS;
    bool reset = fate_of(service_number(call->request.uri)) == RESETS && sim_chance(SIM_SERVICE, 300);
    if (reset || sim_fault(SIM_HTTP, SIM_SERVICE, 50)) {
        x->due_ns = sim_now_ns + sim_below(SIM_SERVICE, SIM_S);
        x->class_ = PW_CLASS_CONNECTION;
        x->unsent = true;
        x->why = "the connection was refused";
        return;
    }
    travel(http, x);
    if (sim_fault(SIM_HTTP, SIM_SERVICE, 30)) /* the network brings it twice */
        travel(http, x);
}

static void refuse(pw_http *http, exchange *x)
{
    x->class_ = PW_CLASS_OPEN;
    x->unsent = true;
    x->why = "the circuit breaker is open";
    end(http, x);
}

/* What the services want done. True: something was. */
static bool step_services(pw_http *http)
{
    pw_http_step step;
    pw_http_services_step(&http->services, UINT32_MAX, wall_of(http), &step);
    switch (step.kind) {
    case PW_STEP_NONE:
        pw_http_services_forget(&http->services, wall_of(http));
        return false;
    case PW_STEP_SEND:
        transmit(http, (exchange *)step.transfer);
        break;
    case PW_STEP_REFUSE:
        refuse(http, (exchange *)step.transfer);
        break;
    case PW_STEP_WISH:
        wish(http, &step);
        break;
    }
    return true;
}

/* The first whose end has come; *next: when that of another does. */
static exchange *first_due(pw_http *http, uint64_t *next)
{
    *next = UINT64_MAX;
    for (exchange *x = http->first; x; x = x->later) {
        uint64_t at = x->cancelled || http->stop   ? 0
                      : !x->sent_ns                ? UINT64_MAX
                      : x->due_ns < x->deadline_ns ? x->due_ns
                                                   : x->deadline_ns;
        if (at <= sim_now_ns)
            return x;
        if (at < *next)
            *next = at;
    }
    return NULL;
}

/* The wall clock of the node may be moved: so it looks again after a while, whatever it says. */
static uint64_t look_again(const pw_http *http, uint64_t next)
{
    int64_t at_ms = pw_http_services_next(&http->services), left_ms = at_ms == INT64_MAX ? POLL_MS : at_ms - wall_of(http);
    if (left_ms > POLL_MS)
        left_ms = POLL_MS;
    uint64_t look = sim_now_ns + (left_ms > 0 ? (uint64_t)left_ms : 1) * SIM_MS;
    return look < next ? look : next;
}

static void drive(void *context)
{
    pw_http *http = context;
    for (;;) {
        uint64_t next;
        exchange *due = first_due(http, &next);
        if (due) {
            due->cancelled = due->cancelled || http->stop;
            end(http, due);
        } else if (http->stop) {
            return;
        } else if (!step_services(http)) {
            (void)sim_wait(http, look_again(http, next));
        }
    }
}

pawl_code pw_http_new(pw_http **out, const pw_http_options *options, pw_http_done_fn on_done,
                      void *context, pawl_error *err)
{
    static const pw_http_options defaults;
    pw_http *http = pw_zalloc(sizeof *http);
    if (!http)
        return pw_no_memory(err);
    pawl_code code = pw_http_services_open(&http->services, options ? options : &defaults, UINT32_MAX, err);
    if (code != PAWL_OK) {
        pw_free(http);
        return code;
    }
    http->node = sim_self();
    http->on_done = on_done;
    http->context = context;
    http->timeout_ms = options && options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
    http->thread = sim_spawn(http->node, "http", drive, http);
    drivers[http->node->number - 1] = http;
    *out = http;
    return PAWL_OK;
}

static pw_str name_of(const pw_http_call *call)
{
    static const char *const names[SERVICES] = { "http://service0.test:80", "http://service1.test:80",
                                                 "http://service2.test:80" };
    return call->service.len ? call->service : pw_str_of(names[service_number(call->request.uri)]);
}

void pw_http_start(pw_http *http, pw_http_call *call)
{
    exchange *x = (exchange *)call;
    pw_http_call kept = *call;
    kept.result = (pw_call_result){ 0 };
    kept.cancelled = false;
    *x = (exchange){ .transfer = { .call = kept } }; /* of an attempt before, nothing is left */
    pw_http_lane *service = pw_http_services_get(&http->services, name_of(call));
    PW_ASSERT(service != NULL);
    x->number = ++exchange_number;
    x->due_ns = UINT64_MAX;
    x->later = http->first;
    http->first = x;
    pw_http_services_join(&http->services, service, &x->transfer);
    sim_wake(http);
}

void pw_http_cancel(pw_http *http, pw_str instance, uint64_t visit)
{
    for (exchange *x = http->first; x; x = x->later)
        if (x->transfer.call.visit == visit && pw_str_eq(x->transfer.call.instance, instance))
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
    pw_http_services_close(&http->services);
    drivers[http->node->number - 1] = NULL;
    pw_free(http);
}

/* ------------------------------------------------------------------ breakers */

void pw_http_on_breaker(pw_http *http, pw_http_breaker_fn on_breaker)
{
    http->on_breaker = on_breaker;
    http->services.stored = on_breaker != NULL;
}

void pw_http_wake(pw_http *http)
{
    (void)http;
}

pawl_code pw_http_breaker_told(pw_http *http, const pw_breaker_record *record, bool ours, pawl_error *err)
{
    bool plain = record->state == PW_BREAKER_CLOSED && record->forced == PW_BREAKER_AUTO;
    pw_http_lane *service = pw_http_services_find(&http->services, record->service);
    if (!service && !plain)
        service = pw_http_services_get(&http->services, record->service);
    if (service)
        pw_http_services_told(&http->services, service, record, ours, wall_of(http));
    sim_wake(http);
    return service || plain ? PAWL_OK : pw_no_memory(err);
}

static int by_name(const void *a, const void *b)
{
    return pw_str_cmp(((const pw_http_service *)a)->service, ((const pw_http_service *)b)->service);
}

pawl_code pw_http_services(pw_http *http, pw_http_service **out, size_t *count, pw_arena *arena, pawl_error *err)
{
    const pw_http_table *services = &http->services;
    pw_http_service *list = PW_NEW_ARRAY(arena, pw_http_service, services->count + 1);
    size_t n = 0;
    for (size_t i = 0; list && i < services->bucket_count; i++)
        for (const pw_http_lane *at = services->buckets[i]; at; at = at->same) {
            list[n] = (pw_http_service){ .service = pw_arena_str(arena, at->name),
                                         .state = at->breaker.state,
                                         .forced = at->breaker.forced,
                                         .open_until_ms = at->breaker.open_until_ms,
                                         .waiting = at->waiting,
                                         .active = at->active,
                                         .sent = at->sent,
                                         .failed = at->failed,
                                         .refused = at->refused,
                                         .last_error = pw_arena_str(arena, pw_str_of(at->last_error)) };
            pw_breaker_count(&at->breaker, &services->breaker, wall_of(http), &list[n].calls, &list[n].failures);
            n++;
        }
    if (!list)
        return pw_no_memory(err);
    qsort(list, n, sizeof *list, by_name);
    *out = list;
    *count = n;
    return PAWL_OK;
}

bool pw_http_look(pw_http *http, pw_str instance, uint64_t visit, pw_http_place *out, pw_arena *arena)
{
    const exchange *x = http->first;
    while (x && (x->transfer.call.visit != visit || !pw_str_eq(x->transfer.call.instance, instance)))
        x = x->later;
    if (!x)
        return false;
    const pw_http_lane *service = x->transfer.service;
    *out = (pw_http_place){ .where = x->sent_ns ? PW_HTTP_SENT : PW_HTTP_QUEUED,
                            .service = pw_arena_str(arena, name_of(&x->transfer.call)),
                            .state = service ? service->breaker.state : PW_BREAKER_CLOSED,
                            .until_ms = -1 };
    if (!x->sent_ns && service && (service->hold == PW_HOLD_BREAKER || service->hold == PW_HOLD_RATE))
        out->where = PW_HTTP_HELD;
    return true;
}

pawl_code pw_http_lates(pw_http *http, uint64_t by_ms, size_t limit, pw_http_late **out, size_t *count, pw_arena *arena,
                        pawl_error *err)
{
    (void)http, (void)by_ms, (void)limit, (void)arena, (void)err;
    *out = NULL;
    *count = 0; /* the world ends each in its time */
    return PAWL_OK;
}

pw_str pw_http_service_name(pw_arena *arena, pw_str uri)
{
    (void)arena;
    return uri;
}
