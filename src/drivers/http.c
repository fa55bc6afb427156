/* http.c - sends committed HTTP calls: one thread, many requests at once.
 *
 * The thread sleeps in curl_multi_poll(). pw_http_start() and pw_http_cancel() leave a message
 * under the lock and wake it; all else - queues, libcurl handles, results - is the thread's alone.
 * A started call is in the set of visits until just before its callback, so that a cancel finds it
 * wherever it is.
 *
 *     start --> inbox --> lane's queue --> sent --> result --> callback
 *                  '-----------'------------'-- cancel, free --^
 *
 * A lane is the queue of one service (scheme, host, port; by hash, so that two services may share
 * one): calls of a service are sent in order, services take turns, and a slow one keeps `per_host`
 * places at most, never all. A call's time counts from when it is sent, not from when it is queued.
 *
 * Promises   Every started call comes back exactly once. The lock is never held while calling out.
 *            Nothing is allocated that a call could be lost for: what fails is its result.
 * At least once: libcurl sends a request again when a kept connection turns out to be closed; so
 * does the engine after a crash. The idempotency key makes it harmless. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "drivers/http_internal.h"
#include "base/digest.h"

#define LANES 1024
#define POLL_MS 60000 /* libcurl's own timers and wake-ups end it before */

typedef struct pw_http_lane {
    pw_http_transfer *first, *last; /* wait to be sent */
    uint32_t active;                /* are sent */
    bool ready;                     /* in the list of lanes that may send */
    struct pw_http_lane *next_ready;
} pw_http_lane;

struct pw_http {
    uint32_t in_flight, per_host;
    pw_http_common common;
    char *no_proxy;
    pw_egress egress;
    pw_http_done_fn on_done;
    void *context;
    CURLM *multi;
    pthread_t thread;

    pthread_mutex_t lock; /* guards the next six */
    pw_visit_set visits;
    pw_http_transfer *inbox_first, *inbox_last;
    pw_http_transfer *cancelled; /* linked by cancel_next */
    bool woken;                  /* the thread has not looked since */
    bool stopping;

    /* The thread's. */
    pw_http_lane lanes[LANES];
    pw_http_lane *ready_first, *ready_last;
    uint32_t active;
    CURL **idle; /* `in_flight` places */
    uint32_t idle_count;
};

/* ------------------------------------------------------------------ calls */

pw_http_call *pw_http_call_new(void)
{
    pw_http_transfer *transfer = pw_zalloc(sizeof *transfer);
    if (!transfer)
        return NULL;
    pw_arena_init(&transfer->call.arena, 0);
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

/* ------------------------------------------------------------------ lanes: the thread's */

static pw_http_lane *lane_of(pw_http *http, const pw_http_transfer *transfer)
{
    bool secure =
        strncmp(transfer->uri, "https", 5) == 0 || strncmp(transfer->uri, "HTTPS", 5) == 0;
    return &http->lanes[pw_hash64(secure, transfer->peer.ptr, transfer->peer.len) % LANES];
}

/* Lists the lane if it has something to send and may. */
static void lane_ready(pw_http *http, pw_http_lane *lane)
{
    if (lane->ready || !lane->first || lane->active >= http->per_host)
        return;
    lane->ready = true;
    lane->next_ready = NULL;
    if (http->ready_last)
        http->ready_last->next_ready = lane;
    else
        http->ready_first = lane;
    http->ready_last = lane;
}

static pw_http_lane *take_ready(pw_http *http)
{
    pw_http_lane *lane = http->ready_first;
    http->ready_first = lane->next_ready;
    if (!http->ready_first)
        http->ready_last = NULL;
    lane->ready = false;
    return lane;
}

static void queue_last(pw_http_lane *lane, pw_http_transfer *transfer)
{
    transfer->lane = lane;
    transfer->before = lane->last;
    transfer->behind = NULL;
    if (lane->last)
        lane->last->behind = transfer;
    else
        lane->first = transfer;
    lane->last = transfer;
}

static void unqueue(pw_http_transfer *transfer)
{
    pw_http_lane *lane = transfer->lane;
    if (transfer->before)
        transfer->before->behind = transfer->behind;
    else
        lane->first = transfer->behind;
    if (transfer->behind)
        transfer->behind->before = transfer->before;
    else
        lane->last = transfer->before;
    transfer->before = transfer->behind = NULL;
}

/* ------------------------------------------------------------------ the end of a call */

/* Takes it out of libcurl or its queue. */
static void detach(pw_http *http, pw_http_transfer *transfer)
{
    pw_http_lane *lane = transfer->lane;
    if (!lane)
        return;
    if (!transfer->easy) {
        unqueue(transfer);
    } else {
        (void)curl_multi_remove_handle(http->multi, transfer->easy);
        curl_easy_reset(transfer->easy); /* connections are the multi's, and stay */
        PW_ASSERT(http->idle_count < http->in_flight);
        http->idle[http->idle_count++] = transfer->easy;
        transfer->easy = NULL;
        PW_ASSERT(lane->active > 0 && http->active > 0);
        lane->active--;
        http->active--;
    }
    transfer->lane = NULL;
    lane_ready(http, lane);
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
    detach(http, transfer);
    pw_http_transfer_clear(transfer);
    (void)pthread_mutex_lock(&http->lock);
    pw_visit_remove(&http->visits, &transfer->entry);
    if (transfer->cancel_listed) /* a cancel came while it ended by itself */
        unlist_cancel(http, transfer);
    (void)pthread_mutex_unlock(&http->lock);
    if (transfer->call.result.answered)
        PW_FAULT("http-before-result");
    transfer->call.next = NULL;
    http->on_done(http->context, &transfer->call);
}

static void finish_cancelled(pw_http *http, pw_http_transfer *transfer)
{
    transfer->call.cancelled = true;
    if (transfer->easy)
        transfer->call.result.duration_ms = pw_drivers_now_ms() - transfer->started_ms;
    pw_http_transfer_fail(transfer, PW_LIT("cancelled before an answer came"));
    finish(http, transfer);
}

static void list_cancel(pw_http *http, pw_visit_entry *entry) /* under the lock; once */
{
    pw_http_transfer *transfer =
        (pw_http_transfer *)(void *)((char *)entry - offsetof(pw_http_transfer, entry));
    if (transfer->cancel_wanted)
        return;
    transfer->cancel_wanted = transfer->cancel_listed = true;
    transfer->cancel_next = http->cancelled;
    http->cancelled = transfer;
}

static void finish_failed(pw_http *http, pw_http_transfer *transfer, pw_str why)
{
    pw_http_transfer_fail(transfer, why);
    finish(http, transfer);
}

/* ------------------------------------------------------------------ the thread */

static CURL *easy_handle(pw_http *http)
{
    return http->idle_count ? http->idle[--http->idle_count] : curl_easy_init();
}

static void send_next(pw_http *http, pw_http_lane *lane)
{
    pw_http_transfer *transfer = lane->first;
    CURL *easy = easy_handle(http);
    if (!easy) {
        finish_failed(http, transfer, PW_LIT("out of memory"));
        return;
    }
    unqueue(transfer);
    transfer->easy = easy;
    lane->active++;
    http->active++;
    transfer->started_ms = pw_drivers_now_ms();
    if (!pw_http_transfer_setup(transfer, easy, &http->common)) {
        finish_failed(http, transfer, PW_LIT("out of memory"));
        return;
    }
    PW_FAULT("http-before-send");
    if (curl_multi_add_handle(http->multi, easy) != CURLM_OK)
        finish_failed(http, transfer, PW_LIT("out of memory"));
}

/* Sends what may be sent: services take turns. */
static void admit(pw_http *http)
{
    while (http->ready_first && http->active < http->in_flight) {
        pw_http_lane *lane = take_ready(http);
        if (!lane->first)
            continue; /* its calls were cancelled */
        send_next(http, lane);
        lane_ready(http, lane);
    }
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
        pw_http_transfer_result(transfer, code, &http->common);
        finish(http, transfer);
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
    pw_http_lane *lane = lane_of(http, transfer);
    queue_last(lane, transfer);
    lane_ready(http, lane);
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
        if (transfer->lane)
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
    if (curl_multi_poll(http->multi, NULL, 0, POLL_MS, NULL) == CURLM_OK)
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
    for (size_t i = 0; i < PW_VISIT_BUCKETS; i++) {
        for (pw_visit_entry *entry = http->visits.buckets[i]; entry; entry = entry->next)
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

void pw_http_start(pw_http *http, pw_http_call *call)
{
    pw_http_transfer *transfer = transfer_of(call);
    PW_ASSERT(!transfer->lane && !transfer->easy);
    (void)pw_arena_guard(&call->arena,
                         NULL); /* no jumps out of the driver's thread, or through libcurl */
    call->result = (pw_call_result){ 0 };
    call->cancelled = false;
    call->next = NULL;
    transfer->inbox_next = NULL;
    transfer->cancel_wanted = transfer->cancel_listed = transfer->dropped = false;
    transfer->stop = PW_HTTP_STOP_NONE;
    transfer->headers = NULL;
    transfer->header_count = transfer->header_size = transfer->header_bytes = 0;
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

/* Loopback, what the environment names and what has another address are reached without a proxy. */
static char *no_proxy_list(const pw_egress *egress)
{
    const char *named = getenv("no_proxy"); /* curl's own order */
    if (!named)
        named = getenv("NO_PROXY");
    if (named && strcmp(named, "*") == 0)
        return pw_strdup(PW_LIT("*"));
    pw_buf list;
    pw_buf_init(&list, 0);
    pw_buf_text(&list, "localhost,127.0.0.1,127.0.0.0/8,::1");
    pw_buf_str(&list, pw_buf_view(&egress->hosts));
    if (named && *named) {
        pw_buf_char(&list, ',');
        pw_buf_text(&list, named);
    }
    return pw_buf_take(&list);
}

static pawl_code open_multi(pw_http *http, pawl_error *err)
{
    bool ok = true;
    http->multi = curl_multi_init();
    if (!http->multi)
        return pw_no_memory(err);
    /* Lanes bound the connections. The default cache is sized by the transfers of the moment, and
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
    pw_free(http->no_proxy);
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
    http->per_host = options->per_host ? options->per_host : 64;
    http->on_done = on_done;
    http->context = context;
    (void)pthread_mutex_init(&http->lock, NULL);
    pawl_code code = pw_egress_open(&http->egress, options->egress_map, options->egress_ca, err);
    http->idle = pw_zalloc(http->in_flight * sizeof *http->idle);
    http->no_proxy = no_proxy_list(&http->egress);
    http->common = (pw_http_common){
        .timeout_ms = options->timeout_ms ? options->timeout_ms : 60000,
        .connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms : 10000,
        .response_max = options->response_max ? options->response_max : (size_t)16 << 20,
        .no_proxy = http->no_proxy,
        .egress = &http->egress,
    };
    if (code == PAWL_OK && (!http->idle || !http->no_proxy))
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
    PW_ASSERT(http->visits.count == 0);
    release(http);
}

/* ------------------------------------------------------------------ services */

void pw_http_on_breaker(pw_http *http, pw_http_breaker_fn on_breaker)
{
    (void)http, (void)on_breaker;
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
