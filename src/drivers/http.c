/* http.c - sends committed HTTP calls: one thread, many requests at once.
 *
 * The thread sleeps in curl_multi_poll(). Others leave a message under the lock and wake it; libcurl's handles and
 * results are the thread's alone. A started call is in the set of visits until just before its callback, so
 * that a cancel finds it wherever it is.
 *
 *     start --> inbox --> service's queue --> sent --> result --> callback
 *                  '-----------'---------------'-- cancel, free --^
 *
 * Whose turn it is, and which service may be asked at all, is http_services.c's. A call's time counts from when
 * it is sent, not from when it is queued.
 *
 * Promises   Every started call comes back exactly once. The lock is never held while calling out.
 *            Nothing is allocated that a call could be lost for: what fails is its result.
 * At least once: libcurl sends a request again when a kept connection turns out to be closed; so
 * does the engine after a crash. The idempotency key makes it harmless. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "drivers/http_internal.h"
#include "drivers/http_services.h"

#define POLL_MS 60000 /* libcurl's own timers and wake-ups end it before */

struct pw_http {
    uint32_t in_flight;
    pw_http_common common;
    pw_egress egress;
    pw_http_done_fn on_done;
    pw_http_breaker_fn on_breaker;
    void *context;
    int64_t (*now_ms)(void *clock);
    void *clock;
    CURLM *multi;
    pthread_t thread;

    pthread_mutex_t lock; /* guards the next seven */
    pw_visit_set visits;
    pw_http_table services;
    pw_http_transfer *inbox_first, *inbox_last;
    pw_http_transfer *cancelled; /* linked by cancel_next */
    bool woken;                  /* the thread has not looked since */
    bool stopping;

    /* The thread's. */
    uint32_t active;
    CURL **idle; /* `in_flight` places */
    uint32_t idle_count;
};

static int64_t wall_ms(void *clock)
{
    struct timespec now;
    (void)clock;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    PW_ASSERT(failed == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t now_of(const pw_http *http)
{
    return http->now_ms(http->clock);
}

/* ------------------------------------------------------------------ calls */

pw_http_call *pw_http_call_new(void)
{
    pw_http_transfer *transfer = pw_zalloc(sizeof *transfer);
    if (!transfer)
        return NULL;
    pw_arena_init(&transfer->call.arena, 0);
    transfer->call.arena.first = 1000; /* a usual call's; a million may wait */
    transfer->call.driver = transfer;
    return &transfer->call;
}

void pw_http_call_free(pw_http_call *call)
{
    if (!call)
        return;
    pw_arena_done(&call->arena);
    pw_free(call->driver);
}

static pw_http_transfer *transfer_of(pw_http_call *call)
{
    pw_http_transfer *transfer = call->driver;
    PW_ASSERT(transfer && &transfer->call == call);
    return transfer;
}

/* ------------------------------------------------------------------ the end of a call */

/* Takes it out of libcurl. */
static void detach(pw_http *http, pw_http_transfer *transfer)
{
    if (!transfer->easy)
        return;
    (void)curl_multi_remove_handle(http->multi, transfer->easy);
    curl_easy_reset(transfer->easy); /* connections are the multi's, and stay */
    PW_ASSERT(http->idle_count < http->in_flight && http->active > 0);
    http->idle[http->idle_count++] = transfer->easy;
    transfer->easy = NULL;
    http->active--;
}

/* What the end of a call tells of its service. */
static pw_call_verdict verdict_of(const pw_http_call *call)
{
    const pw_call_result *result = &call->result;
    if (call->cancelled)
        return PW_VERDICT_NONE;
    if (result->answered && result->status < 400)
        return PW_VERDICT_GOOD;
    pw_error_class class_ = result->answered ? pw_error_class_of_answer(result->status) : result->class_;
    if (pw_error_class_breaks(class_))
        return PW_VERDICT_BAD;
    return result->answered || class_ == PW_CLASS_MALFORMED ? PW_VERDICT_GOOD : PW_VERDICT_NONE;
}

static pw_str service_name(const pw_http_transfer *transfer)
{
    return transfer->call.service.len ? transfer->call.service : transfer->target.key;
}

pw_str pw_http_call_service(const pw_http_call *call)
{
    const pw_http_transfer *transfer = call->driver;
    return service_name(transfer);
}

static void tell(pw_http *http, pw_http_step *step)
{
    step->want.reason = pw_str_of(step->reason);
    if (http->on_breaker)
        http->on_breaker(http->context, &step->want);
}

static void unlist_cancel(pw_http *http, const pw_http_transfer *transfer)
{
    pw_http_transfer **at = &http->cancelled;
    while (*at != transfer)
        at = &(*at)->cancel_next;
    *at = transfer->cancel_next;
}

/* The only place that calls back. */
static void finish(pw_http *http, pw_http_transfer *transfer)
{
    pw_http_step step = { .kind = PW_STEP_NONE };
    int64_t now_ms = now_of(http);
    detach(http, transfer);
    pw_http_transfer_clear(transfer);
    (void)pthread_mutex_lock(&http->lock);
    if (transfer->sent)
        pw_http_services_ended(&http->services, transfer, verdict_of(&transfer->call), now_ms, &step);
    else if (transfer->service)
        pw_http_services_leave(&http->services, transfer, now_ms);
    pw_visit_remove(&http->visits, &transfer->entry);
    if (transfer->cancel_listed) /* a cancel came while it ended by itself */
        unlist_cancel(http, transfer);
    (void)pthread_mutex_unlock(&http->lock);
    if (transfer->call.result.answered)
        PW_FAULT("http-before-result");
    if (step.kind == PW_STEP_WISH)
        tell(http, &step);
    transfer->call.next = NULL;
    http->on_done(http->context, &transfer->call);
}

static void finish_failed(pw_http *http, pw_http_transfer *transfer, pw_error_class class_, pw_str why)
{
    if (transfer->sent)
        transfer->call.result.duration_ms = pw_drivers_now_ms() - transfer->started_ms;
    pw_http_transfer_fail(transfer, class_, why);
    finish(http, transfer);
}

static void finish_cancelled(pw_http *http, pw_http_transfer *transfer)
{
    transfer->call.cancelled = true;
    finish_failed(http, transfer, PW_CLASS_OTHER, PW_LIT("cancelled before an answer came"));
}

static pw_http_transfer *transfer_at(pw_visit_entry *entry)
{
    return (pw_http_transfer *)(void *)((char *)entry - offsetof(pw_http_transfer, entry));
}

static void list_cancel(pw_http *http, pw_visit_entry *entry) /* under the lock; once */
{
    pw_http_transfer *transfer = transfer_at(entry);
    if (transfer->cancel_wanted)
        return;
    transfer->cancel_wanted = transfer->cancel_listed = true;
    transfer->cancel_next = http->cancelled;
    http->cancelled = transfer;
}

/* ------------------------------------------------------------------ the thread */

/* Gives it to libcurl, or ends it. */
static void go(pw_http *http, pw_http_transfer *transfer)
{
    if (!pw_http_transfer_setup(transfer, transfer->easy, &http->common)) {
        transfer->call.result.duration_ms = pw_drivers_now_ms() - transfer->started_ms;
        finish(http, transfer); /* it says why */
        return;
    }
    if (transfer->redirects == 0)
        PW_FAULT("http-before-send");
    if (curl_multi_add_handle(http->multi, transfer->easy) != CURLM_OK)
        finish_failed(http, transfer, PW_CLASS_OTHER, PW_LIT("out of memory"));
}

static void send_call(pw_http *http, pw_http_transfer *transfer)
{
    CURL *easy = http->idle_count ? http->idle[--http->idle_count] : curl_easy_init();
    if (!easy) {
        finish_failed(http, transfer, PW_CLASS_OTHER, PW_LIT("out of memory"));
        return;
    }
    transfer->easy = easy;
    http->active++;
    go(http, transfer);
}

static void refuse_call(pw_http *http, pw_http_transfer *transfer, int64_t until_ms)
{
    pw_str service = service_name(transfer);
    int64_t left_ms = until_ms - now_of(http);
    pw_str why = until_ms >= 0 && left_ms > 0
                     ? pw_arena_printf(&transfer->call.arena, "the circuit breaker of " PW_FMT " is open for another %lld s",
                                       PW_ARG(service), (long long)((left_ms + 999) / 1000))
                     : pw_arena_printf(&transfer->call.arena, "the circuit breaker of " PW_FMT " is open", PW_ARG(service));
    finish_failed(http, transfer, PW_CLASS_OPEN, why);
}

/* Sends what may be sent, and whatever else the services want. */
static void admit(pw_http *http)
{
    pw_http_step step;
    for (;;) {
        int64_t now_ms = now_of(http);
        (void)pthread_mutex_lock(&http->lock);
        pw_http_services_step(&http->services, http->in_flight - http->active, now_ms, &step);
        if (step.kind == PW_STEP_SEND)
            step.transfer->started_ms = pw_drivers_now_ms();
        if (step.kind == PW_STEP_NONE)
            pw_http_services_forget(&http->services, now_ms);
        (void)pthread_mutex_unlock(&http->lock);
        switch (step.kind) {
        case PW_STEP_NONE:
            return;
        case PW_STEP_SEND:
            send_call(http, step.transfer);
            break;
        case PW_STEP_REFUSE:
            refuse_call(http, step.transfer, step.until_ms);
            break;
        case PW_STEP_WISH:
            tell(http, &step);
            break;
        }
    }
}

static void ended(pw_http *http, pw_http_transfer *transfer, CURLcode code)
{
    bool failed = false;
    transfer->call.result.duration_ms = pw_drivers_now_ms() - transfer->started_ms;
    if (code == CURLE_OK && pw_http_redirect(transfer, &http->common, &failed)) {
        (void)curl_multi_remove_handle(http->multi, transfer->easy);
        curl_easy_reset(transfer->easy);
        go(http, transfer);
        return;
    }
    if (!failed)
        pw_http_transfer_result(transfer, code, &http->common);
    finish(http, transfer);
}

/* Results of ended transfers. True: there were some, so there is room for others. */
static bool collect(pw_http *http)
{
    bool any = false;
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(http->multi, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result; /* gone with the handle */
        pw_http_transfer *transfer = NULL;
        CURLcode found =
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        PW_ASSERT(found == CURLE_OK && transfer != NULL);
        ended(http, transfer, code);
        any = true;
    }
    return any;
}

static void accept_call(pw_http *http, pw_http_transfer *transfer)
{
    if (!pw_http_transfer_check(transfer)) {
        finish(http, transfer);
        return;
    }
    (void)pthread_mutex_lock(&http->lock);
    pw_http_lane *service = pw_http_services_get(&http->services, service_name(transfer));
    if (service)
        pw_http_services_join(&http->services, service, transfer);
    (void)pthread_mutex_unlock(&http->lock);
    if (!service)
        finish_failed(http, transfer, PW_CLASS_OTHER, PW_LIT("out of memory"));
}

/* Does what other threads asked for. True: it is to stop. */
static bool take_messages(pw_http *http)
{
    (void)pthread_mutex_lock(&http->lock);
    pw_http_transfer *inbox = http->inbox_first;
    http->inbox_first = http->inbox_last = NULL;
    pw_http_transfer *cancelled = http->cancelled;
    http->cancelled = NULL;
    for (pw_http_transfer *transfer = cancelled; transfer; transfer = transfer->cancel_next)
        transfer->cancel_listed = false;
    bool stopping = http->stopping;
    http->woken = false;
    (void)pthread_mutex_unlock(&http->lock);

    while (cancelled) {
        pw_http_transfer *transfer = cancelled;
        cancelled = transfer->cancel_next;
        if (transfer->service)
            finish_cancelled(http, transfer);
        else
            transfer->dropped = true; /* it is in the inbox that we hold */
    }
    while (inbox) {
        pw_http_transfer *transfer = inbox;
        inbox = transfer->inbox_next;
        if (transfer->dropped)
            finish_cancelled(http, transfer);
        else
            accept_call(http, transfer);
    }
    return stopping;
}

static void sleep_until_something_happens(pw_http *http)
{
    (void)pthread_mutex_lock(&http->lock);
    int64_t next_ms = pw_http_services_next(&http->services);
    (void)pthread_mutex_unlock(&http->lock);
    int64_t left_ms = next_ms == INT64_MAX ? POLL_MS : next_ms - now_of(http);
    if (left_ms <= 0)
        return;
    if (curl_multi_poll(http->multi, NULL, 0, left_ms < POLL_MS ? (int)left_ms : POLL_MS, NULL) == CURLM_OK)
        return;
    /* Out of memory: it may pass; until then do not turn the thread into a hot loop. */
    struct timespec pause = { .tv_nsec = 10000000 }; /* 10 ms */
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

/* Asks to cancel everything there is; false: there is nothing. */
static bool cancel_all(pw_http *http)
{
    (void)pthread_mutex_lock(&http->lock);
    bool any = http->visits.count > 0;
    size_t count;
    pw_visit_entry **buckets = pw_visit_buckets(&http->visits, &count);
    for (size_t i = 0; i < count; i++) {
        for (pw_visit_entry *entry = buckets[i]; entry; entry = entry->next)
            list_cancel(http, entry);
    }
    (void)pthread_mutex_unlock(&http->lock);
    return any;
}

static void *run(void *context)
{
    pw_http *http = context;
    (void)pthread_setname_np(pthread_self(), "pawl-http");
    while (!take_messages(http)) {
        int running;
        admit(http);
        (void)curl_multi_perform(http->multi, &running); /* its errors are the transfers' */
        if (!collect(http))
            sleep_until_something_happens(http);
    }
    while (cancel_all(http)) /* again: a callback may have started another */
        (void)take_messages(http);
    PW_ASSERT(http->active == 0);
    return NULL;
}

/* ------------------------------------------------------------------ any thread */

static void wake(pw_http *http, bool needed)
{
    if (needed)
        (void)curl_multi_wakeup(http->multi);
}

/* Of an attempt before, nothing is left but the arena. */
static void begin(pw_http_transfer *transfer)
{
    pw_http_call call = transfer->call;
    (void)pw_arena_guard(&call.arena, NULL); /* no jumps out of the driver's thread, or through libcurl */
    call.result = (pw_call_result){ 0 };
    call.cancelled = false;
    call.next = NULL;
    *transfer = (pw_http_transfer){ .call = call };
}

void pw_http_start(pw_http *http, pw_http_call *call)
{
    pw_http_transfer *transfer = transfer_of(call);
    PW_ASSERT(!transfer->service && !transfer->easy);
    begin(transfer);
    (void)pthread_mutex_lock(&http->lock);
    pw_visit_add(&http->visits, &transfer->entry, call->instance, call->visit);
    if (http->inbox_last)
        http->inbox_last->inbox_next = transfer;
    else
        http->inbox_first = transfer;
    http->inbox_last = transfer;
    bool sleeps = !http->woken;
    http->woken = true;
    (void)pthread_mutex_unlock(&http->lock);
    wake(http, sleeps);
}

void pw_http_cancel(pw_http *http, pw_str instance, uint64_t visit)
{
    bool sleeps = false;
    (void)pthread_mutex_lock(&http->lock);
    for (pw_visit_entry *entry = NULL;
         (entry = pw_visit_find(&http->visits, entry, instance, visit)) != NULL;) {
        list_cancel(http, entry);
        sleeps = !http->woken;
        http->woken = true;
    }
    (void)pthread_mutex_unlock(&http->lock);
    wake(http, sleeps);
}

uint32_t pw_http_in_flight(pw_http *http)
{
    (void)pthread_mutex_lock(&http->lock);
    uint32_t count = http->visits.count;
    (void)pthread_mutex_unlock(&http->lock);
    return count;
}

/* ------------------------------------------------------------------ open and close */

static CURLcode global_code;

static void init_libcurl(void)
{
    global_code =
        curl_global_init(CURL_GLOBAL_DEFAULT); /* never undone: the host program may use it too */
}

static pawl_code open_multi(pw_http *http, pawl_error *err)
{
    bool ok = true;
    http->multi = curl_multi_init();
    if (!http->multi)
        return pw_no_memory(err);
    /* Services bound the connections. The default cache is sized by the transfers of the moment, and
     * would close what the next burst needs. */
    ok = ok &&
         curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)http->in_flight) == CURLM_OK;
    ok = ok && curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX) == CURLM_OK;
    return ok ? PAWL_OK
              : pw_fail(err, PAWL_IO, "libcurl refuses its settings: use libcurl 7.68 or newer");
}

static pawl_code start_thread(pw_http *http, pawl_error *err)
{
    sigset_t none, before;
    pw_drivers_no_signals(&none);
    (void)pthread_sigmask(SIG_BLOCK, &none, &before);
    int failed = pthread_create(&http->thread, NULL, run, http);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return pw_fail_native(err, PAWL_IO, failed,
                              "cannot start the thread for HTTP calls: error %d", failed);
    return PAWL_OK;
}

static void release(pw_http *http)
{
    while (http->idle_count)
        curl_easy_cleanup(http->idle[--http->idle_count]);
    if (http->multi)
        (void)curl_multi_cleanup(http->multi);
    (void)pthread_mutex_destroy(&http->lock);
    pw_free(http->idle);
    pw_visit_done(&http->visits);
    pw_http_services_close(&http->services);
    pw_egress_close(&http->egress);
    pw_free(http);
}

pawl_code pw_http_new(pw_http **out, const pw_http_options *options, pw_http_done_fn on_done,
                      void *context, pawl_error *err)
{
    static const pw_http_options defaults;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, init_libcurl);
    if (global_code != CURLE_OK)
        return pw_fail_native(err, PAWL_IO, (int)global_code, "libcurl does not start: %s",
                              curl_easy_strerror(global_code));
    if (!options)
        options = &defaults;
    pw_http *http = pw_zalloc(sizeof *http);
    if (!http)
        return pw_no_memory(err);
    http->in_flight = options->in_flight ? options->in_flight : 256;
    if (http->in_flight > PW_HTTP_IN_FLIGHT_MAX)
        http->in_flight = PW_HTTP_IN_FLIGHT_MAX;
    http->on_done = on_done;
    http->context = context;
    http->now_ms = options->now_ms ? options->now_ms : wall_ms;
    http->clock = options->clock;
    (void)pthread_mutex_init(&http->lock, NULL);
    pawl_code code = pw_egress_open(&http->egress, options, err);
    if (code == PAWL_OK)
        code = pw_http_services_open(&http->services, options, http->in_flight, err);
    http->idle = pw_zalloc(http->in_flight * sizeof *http->idle);
    http->common = (pw_http_common){
        .timeout_ms = options->timeout_ms ? options->timeout_ms : 60000,
        .connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms : 10000,
        .response_max = options->response_max ? options->response_max : (size_t)16 << 20,
        .redirects = options->redirects ? options->redirects : PW_HTTP_REDIRECTS_MAX,
        .egress = &http->egress,
    };
    if (code == PAWL_OK && !http->idle)
        code = pw_no_memory(err);
    if (code == PAWL_OK)
        code = open_multi(http, err);
    if (code == PAWL_OK)
        code = start_thread(http, err);
    if (code != PAWL_OK) {
        release(http);
        return code;
    }
    *out = http;
    return PAWL_OK;
}

void pw_http_free(pw_http *http)
{
    if (!http)
        return;
    (void)pthread_mutex_lock(&http->lock);
    http->stopping = true;
    http->woken = true;
    (void)pthread_mutex_unlock(&http->lock);
    (void)curl_multi_wakeup(http->multi);
    (void)pthread_join(http->thread, NULL);
    release(http);
}

/* ------------------------------------------------------------------ services: any thread */

void pw_http_on_breaker(pw_http *http, pw_http_breaker_fn on_breaker)
{
    (void)pthread_mutex_lock(&http->lock);
    http->on_breaker = on_breaker;
    http->services.stored = on_breaker != NULL;
    (void)pthread_mutex_unlock(&http->lock);
}

void pw_http_wake(pw_http *http)
{
    (void)curl_multi_wakeup(http->multi);
}

pawl_code pw_http_breaker_told(pw_http *http, const pw_breaker_record *record, bool ours, pawl_error *err)
{
    bool plain = record->state == PW_BREAKER_CLOSED && record->forced == PW_BREAKER_AUTO;
    int64_t now_ms = now_of(http);
    (void)pthread_mutex_lock(&http->lock);
    pw_http_lane *service = pw_http_services_find(&http->services, record->service);
    if (!service && !plain)
        service = pw_http_services_get(&http->services, record->service);
    if (service)
        pw_http_services_told(&http->services, service, record, ours, now_ms);
    bool sleeps = service && !http->woken;
    http->woken = http->woken || service;
    (void)pthread_mutex_unlock(&http->lock);
    wake(http, sleeps);
    return service || plain ? PAWL_OK : pw_no_memory(err);
}

static int by_name(const void *a, const void *b)
{
    return pw_str_cmp(((const pw_http_service *)a)->service, ((const pw_http_service *)b)->service);
}

static void describe_service(const pw_http *http, pw_http_service *out, const pw_http_lane *service, int64_t now_ms, pw_arena *arena)
{
    *out = (pw_http_service){
        .service = pw_arena_str(arena, service->name),
        .state = service->breaker.state,
        .forced = service->breaker.forced,
        .open_until_ms = service->breaker.state == PW_BREAKER_OPEN ? service->breaker.open_until_ms : -1,
        .waiting = service->waiting,
        .active = service->active,
        .sent = service->sent,
        .failed = service->failed,
        .refused = service->refused,
        .last_error = pw_arena_str(arena, pw_str_of(service->last_error)),
    };
    pw_breaker_count(&service->breaker, &http->services.breaker, now_ms, &out->calls, &out->failures);
}

pawl_code pw_http_services(pw_http *http, pw_http_service **out, size_t *count, pw_arena *arena, pawl_error *err)
{
    int64_t now_ms = now_of(http);
    jmp_buf *guard = pw_arena_guard(arena, NULL); /* no jump with the lock held */
    (void)pthread_mutex_lock(&http->lock);
    const pw_http_table *services = &http->services;
    size_t n = 0;
    pw_http_service *list = PW_NEW_ARRAY(arena, pw_http_service, services->count + 1);
    for (size_t i = 0; list && i < services->bucket_count; i++)
        for (const pw_http_lane *at = services->buckets[i]; at; at = at->same)
            describe_service(http, &list[n++], at, now_ms, arena);
    (void)pthread_mutex_unlock(&http->lock);
    (void)pw_arena_guard(arena, guard);
    if (arena->failed)
        return pw_no_memory(err);
    qsort(list, n, sizeof *list, by_name);
    *out = list;
    *count = n;
    return PAWL_OK;
}

/* Under the lock. */
static void place_of(const pw_http_transfer *transfer, pw_http_place *out, int64_t now_ms, pw_arena *arena)
{
    const pw_http_lane *service = transfer->service;
    *out = (pw_http_place){ .where = PW_HTTP_QUEUED, .until_ms = -1 };
    if (!service) { /* the driver has not looked at it */
        const pw_http_call *call = &transfer->call;
        out->service = call->service.len ? pw_arena_str(arena, call->service) : pw_http_service_name(arena, call->request.uri);
        return;
    }
    out->service = pw_arena_str(arena, service->name);
    out->state = service->breaker.forced == PW_BREAKER_FORCED_OPEN ? PW_BREAKER_OPEN
                 : service->breaker.forced == PW_BREAKER_FORCED_CLOSED ? PW_BREAKER_CLOSED
                                                                        : service->breaker.state;
    if (transfer->sent) {
        out->where = PW_HTTP_SENT;
    } else if (service->hold == PW_HOLD_RATE) {
        out->where = PW_HTTP_HELD;
        out->until_ms = service->look_ms;
    } else if (service->hold == PW_HOLD_BREAKER) {
        int64_t next_ms = pw_breaker_next(&service->breaker, now_ms);
        out->where = PW_HTTP_HELD;
        out->until_ms = next_ms == INT64_MAX ? -1 : next_ms;
    }
}

bool pw_http_look(pw_http *http, pw_str instance, uint64_t visit, pw_http_place *out, pw_arena *arena)
{
    int64_t now_ms = now_of(http);
    jmp_buf *guard = pw_arena_guard(arena, NULL);
    (void)pthread_mutex_lock(&http->lock);
    pw_visit_entry *entry = pw_visit_find(&http->visits, NULL, instance, visit);
    if (entry)
        place_of(transfer_at(entry), out, now_ms, arena);
    (void)pthread_mutex_unlock(&http->lock);
    (void)pw_arena_guard(arena, guard);
    return entry != NULL;
}

/* Under the lock. */
static uint64_t over_of(const pw_http *http, const pw_http_transfer *transfer, uint64_t now_ms)
{
    const uint64_t timeout_ms = transfer->call.timeout_ms ? transfer->call.timeout_ms : http->common.timeout_ms;
    const uint64_t passed_ms = now_ms - transfer->started_ms;
    return passed_ms > timeout_ms ? passed_ms - timeout_ms : 0;
}

pawl_code pw_http_lates(pw_http *http, uint64_t by_ms, size_t limit, pw_http_late **out, size_t *count, pw_arena *arena,
                        pawl_error *err)
{
    jmp_buf *guard = pw_arena_guard(arena, NULL);
    (void)pthread_mutex_lock(&http->lock);
    const uint64_t now_ms = pw_drivers_now_ms();
    size_t n = 0;
    for (const pw_http_transfer *at = http->services.sent_first; at; at = at->behind)
        n += over_of(http, at, now_ms) >= by_ms;
    pw_http_late *list = PW_NEW_ARRAY(arena, pw_http_late, (n < limit ? n : limit) + 1);
    *count = 0;
    for (const pw_http_transfer *at = http->services.sent_first; list && at && *count < limit; at = at->behind) {
        const uint64_t over_ms = over_of(http, at, now_ms);
        if (over_ms >= by_ms)
            list[(*count)++] = (pw_http_late){ .instance = pw_arena_str(arena, at->call.instance),
                                               .service = pw_arena_str(arena, at->service->name),
                                               .visit = at->call.visit,
                                               .over_ms = over_ms };
    }
    (void)pthread_mutex_unlock(&http->lock);
    (void)pw_arena_guard(arena, guard);
    if (arena->failed)
        return pw_no_memory(err);
    *out = list;
    return PAWL_OK;
}
