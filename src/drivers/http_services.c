/* http_services.c - the services that are called. See http_services.h.
 *
 * A service is known by its exact name: scheme, host and port of the URI, or the name that a task gives. Its calls wait in one
 * queue and are sent in order. Whether the first may go is asked of the breaker, of the bulkhead and of the rate, with the
 * settings of that call:
 *
 *     join --> ready --may go--> able --room--> sent --ended--> ready
 *                ^  '---held: by the breaker, the rate (timer), or the places---'
 *                '------------- time, the end of a call, what is told ----------'
 *
 * While the breaker is not closed nothing is sent but its probe. Who does not wait for a breaker is taken out of the queue
 * then, but for the one that is to be the probe.
 *
 * Bounded: a call that waits takes no memory but its own. A service without calls is forgotten after a while if its breaker is
 * closed and not forced; one that is open has a row in the store, and stays. */
#include <stdio.h>
#include <stdlib.h>
#include "drivers/http_services.h"
#include "base/digest.h"

/* ------------------------------------------------------------------ lists */

static void unlist(pw_http_table *services, pw_http_lane *service)
{
    pw_http_list *list = service->list;
    if (!list)
        return;
    if (service->before)
        service->before->behind = service->behind;
    else
        list->first = service->behind;
    if (service->behind)
        service->behind->before = service->before;
    else
        list->last = service->before;
    service->before = service->behind = NULL;
    service->list = NULL;
    if (list == &services->idle)
        services->idle_count--;
}

static void enlist(pw_http_table *services, pw_http_list *list, pw_http_lane *service)
{
    unlist(services, service);
    service->list = list;
    service->before = list->last;
    service->behind = NULL;
    if (list->last)
        list->last->behind = service;
    else
        list->first = service;
    list->last = service;
    if (list == &services->idle)
        services->idle_count++;
}

/* ------------------------------------------------------------------ timers: a heap, the earliest first */

static void place_timer(pw_http_table *services, size_t at, pw_http_lane *service)
{
    services->timers[at - 1] = service;
    service->timer = at;
}

static void sift(pw_http_table *services, size_t at)
{
    pw_http_lane *service = services->timers[at - 1];
    for (; at > 1 && service->look_ms < services->timers[at / 2 - 1]->look_ms; at /= 2)
        place_timer(services, at, services->timers[at / 2 - 1]);
    for (size_t child; (child = at * 2) <= services->timer_count; at = child) {
        if (child < services->timer_count && services->timers[child]->look_ms < services->timers[child - 1]->look_ms)
            child++;
        if (service->look_ms <= services->timers[child - 1]->look_ms)
            break;
        place_timer(services, at, services->timers[child - 1]);
    }
    place_timer(services, at, service);
}

/* INT64_MAX: no timer. */
static void set_timer(pw_http_table *services, pw_http_lane *service, int64_t look_ms)
{
    service->look_ms = look_ms;
    if (look_ms != INT64_MAX) {
        if (!service->timer) {
            PW_ASSERT(services->timer_count < services->timer_room);
            place_timer(services, ++services->timer_count, service);
        }
        sift(services, service->timer);
    } else if (service->timer) {
        size_t at = service->timer;
        pw_http_lane *last = services->timers[--services->timer_count];
        service->timer = 0;
        if (last != service) {
            place_timer(services, at, last);
            sift(services, at);
        }
    }
}

int64_t pw_http_services_next(const pw_http_table *services)
{
    return services->timer_count ? services->timers[0]->look_ms : INT64_MAX;
}

/* ------------------------------------------------------------------ the table */

pawl_code pw_http_services_open(pw_http_table *services, const pw_http_options *options, uint32_t in_flight,
                                pawl_error *err)
{
    *services = (pw_http_table){ .at_once = options->per_host ? options->per_host : 64,
                               .per_second = options->per_second,
                               .breaker = options->breaker };
    /* Where one service may have all places, that is meant. */
    services->kept = services->at_once < in_flight ? in_flight / 8 : 0;
    const pw_breaker_settings *b = &options->breaker;
    if (!b->failures && !b->throughput && !b->window_ms && !b->break_ms)
        services->breaker = pw_breaker_default;
    services->bucket_count = 64;
    services->buckets = pw_zalloc(services->bucket_count * sizeof(*services->buckets));
    return services->buckets ? PAWL_OK : pw_no_memory(err);
}

void pw_http_services_close(pw_http_table *services)
{
    for (size_t i = 0; i < services->bucket_count && services->buckets; i++)
        for (pw_http_lane *at = services->buckets[i], *same; at; at = same) {
            same = at->same;
            PW_ASSERT(at->waiting == 0 && at->active == 0);
            pw_free(at);
        }
    pw_free(services->buckets);
    pw_free(services->timers);
    *services = (pw_http_table){ 0 };
}

static pw_http_lane **bucket_of(pw_http_lane **buckets, size_t count, pw_str name)
{
    return &buckets[pw_hash64(0, name.ptr, name.len) % count];
}

pw_http_lane *pw_http_services_find(const pw_http_table *services, pw_str name)
{
    pw_http_lane *at = *bucket_of(services->buckets, services->bucket_count, name);
    while (at && !pw_str_eq(at->name, name))
        at = at->same;
    return at;
}

/* Without memory for it the chains get longer, and nothing else. */
static void grow_buckets(pw_http_table *services)
{
    size_t count = services->bucket_count * 2;
    pw_http_lane **buckets = pw_zalloc(count * sizeof *buckets);
    if (!buckets)
        return;
    for (size_t i = 0; i < services->bucket_count; i++)
        for (pw_http_lane *at = services->buckets[i], *same; at; at = same) {
            same = at->same;
            pw_http_lane **bucket = bucket_of(buckets, count, at->name);
            at->same = *bucket;
            *bucket = at;
        }
    pw_free(services->buckets);
    services->buckets = buckets;
    services->bucket_count = count;
}

/* So that a timer can always be set. */
static bool grow_timers(pw_http_table *services)
{
    if (services->count < services->timer_room)
        return true;
    size_t room = services->timer_room ? services->timer_room * 2 : 64;
    pw_http_lane **timers = pw_realloc(services->timers, room * sizeof *timers);
    if (!timers)
        return false;
    services->timers = timers;
    services->timer_room = room;
    return true;
}

pw_http_lane *pw_http_services_get(pw_http_table *services, pw_str name)
{
    pw_http_lane *service = pw_http_services_find(services, name);
    if (service)
        return service;
    if (!grow_timers(services) || !(service = pw_zalloc(sizeof *service + name.len)))
        return NULL;
    if (services->count >= services->bucket_count)
        grow_buckets(services);
    char *text = (char *)(service + 1);
    if (name.len)
        memcpy(text, name.ptr, name.len);
    service->name = (pw_str){ text, name.len };
    service->look_ms = INT64_MAX;
    pw_http_lane **bucket = bucket_of(services->buckets, services->bucket_count, name);
    service->same = *bucket;
    *bucket = service;
    services->count++;
    return service;
}

static void forget(pw_http_table *services, pw_http_lane *service)
{
    pw_http_lane **at = bucket_of(services->buckets, services->bucket_count, service->name);
    while (*at != service)
        at = &(*at)->same;
    *at = service->same;
    set_timer(services, service, INT64_MAX);
    unlist(services, service);
    services->count--;
    pw_free(service);
}

void pw_http_services_forget(pw_http_table *services, int64_t now_ms)
{
    pw_http_lane *oldest;
    while ((oldest = services->idle.first) != NULL &&
           (services->idle_count > PW_HTTP_SERVICE_KEEP_MOST || now_ms - oldest->idle_ms >= PW_HTTP_SERVICE_KEEP_MS))
        forget(services, oldest);
}

/* Where it belongs after its calls or its breaker have changed. */
static void settle(pw_http_table *services, pw_http_lane *service, int64_t now_ms)
{
    if (service->waiting) {
        enlist(services, &services->ready, service);
        return;
    }
    set_timer(services, service, INT64_MAX);
    service->hold = PW_HOLD_NONE;
    bool closed = service->breaker.state == PW_BREAKER_CLOSED && service->breaker.forced == PW_BREAKER_AUTO;
    if (service->active || !closed) {
        unlist(services, service);
    } else if (service->list != &services->idle) {
        service->idle_ms = now_ms;
        enlist(services, &services->idle, service);
    }
}

/* ------------------------------------------------------------------ the queue */

void pw_http_services_join(pw_http_table *services, pw_http_lane *service, pw_http_transfer *transfer)
{
    transfer->service = service;
    transfer->before = service->last;
    transfer->behind = NULL;
    if (service->last)
        service->last->behind = transfer;
    else
        service->first = transfer;
    service->last = transfer;
    service->waiting++;
    if (transfer->call.fail_when_open) {
        transfer->hasty_before = service->hasty_last;
        transfer->hasty_behind = NULL;
        if (service->hasty_last)
            service->hasty_last->hasty_behind = transfer;
        else
            service->hasty_first = transfer;
        service->hasty_last = transfer;
    }
    /* What holds the first holds this one, too; but one that does not wait for the breaker has to be told so. */
    if (service->waiting == 1 || (transfer->call.fail_when_open && service->hold == PW_HOLD_BREAKER))
        enlist(services, &services->ready, service);
}

static void take_out(pw_http_lane *service, pw_http_transfer *transfer)
{
    if (transfer->before)
        transfer->before->behind = transfer->behind;
    else
        service->first = transfer->behind;
    if (transfer->behind)
        transfer->behind->before = transfer->before;
    else
        service->last = transfer->before;
    transfer->before = transfer->behind = NULL;
    service->waiting--;
    if (!transfer->call.fail_when_open)
        return;
    if (transfer->hasty_before)
        transfer->hasty_before->hasty_behind = transfer->hasty_behind;
    else
        service->hasty_first = transfer->hasty_behind;
    if (transfer->hasty_behind)
        transfer->hasty_behind->hasty_before = transfer->hasty_before;
    else
        service->hasty_last = transfer->hasty_before;
    transfer->hasty_before = transfer->hasty_behind = NULL;
}

void pw_http_services_leave(pw_http_table *services, pw_http_transfer *transfer, int64_t now_ms)
{
    pw_http_lane *service = transfer->service;
    bool first = service->first == transfer;
    take_out(service, transfer);
    transfer->service = NULL;
    if (first || !service->waiting)
        settle(services, service, now_ms);
}

/* ------------------------------------------------------------------ who may go */

/* Its breaker is not closed, or is forced open: nothing goes, and not for a moment only. */
static bool shut(const pw_http_lane *service)
{
    if (service->breaker.forced != PW_BREAKER_AUTO)
        return service->breaker.forced == PW_BREAKER_FORCED_OPEN;
    return service->breaker.state != PW_BREAKER_CLOSED;
}

static bool probe_is_ours(const pw_http_lane *service, int64_t now_ms)
{
    return service->ours && !service->breaker.probing && service->breaker.forced == PW_BREAKER_AUTO &&
           service->breaker.state == PW_BREAKER_HALF_OPEN && now_ms < service->ours_until_ms;
}

static pw_pass ask_breaker(const pw_http_table *services, const pw_http_lane *service, int64_t now_ms, bool *to_ask)
{
    *to_ask = false;
    if (probe_is_ours(service, now_ms))
        return PW_PASS_PROBE;
    pw_pass pass = pw_breaker_ask(&service->breaker, service->active, now_ms);
    if (pass != PW_PASS_PROBE || !services->stored)
        return pass;
    *to_ask = !service->asked || now_ms - service->asked_ms >= PW_HTTP_SERVICE_ASK_AGAIN_MS;
    return PW_PASS_NO;
}

static void hold(pw_http_table *services, pw_http_lane *service, pw_hold why, int64_t look_ms)
{
    service->hold = why;
    unlist(services, service);
    set_timer(services, service, look_ms);
}

/* One that does not wait for a breaker, but not the one that may become the probe. */
static pw_http_transfer *to_refuse(const pw_http_lane *service, bool spare_first)
{
    pw_http_transfer *at = service->hasty_first;
    return spare_first && at && at == service->first ? at->hasty_behind : at;
}

static void wish(pw_http_step *step, const pw_http_lane *service, pw_breaker_state state, int64_t now_ms)
{
    step->kind = PW_STEP_WISH;
    step->want = (pw_breaker_record){
        .service = service->name,
        .state = state,
        .epoch = service->epoch,
        .open_until_ms = state == PW_BREAKER_OPEN ? service->breaker.open_until_ms : -1,
        .probe_until_ms = -1,
        .changed_by = PW_LIT("system"),
        .changed_ms = now_ms,
    };
}

static void want_probe(pw_http_step *step, pw_http_lane *service, int64_t now_ms)
{
    service->asked = true;
    service->asked_ms = now_ms;
    service->ours = false;
    wish(step, service, PW_BREAKER_HALF_OPEN, now_ms);
    (void)snprintf(step->reason, sizeof step->reason, "its time is over: one call is sent as a probe");
}

static void refuse(pw_http_table *services, pw_http_lane *service, pw_http_transfer *transfer, int64_t now_ms, pw_http_step *step)
{
    step->kind = PW_STEP_REFUSE;
    step->transfer = transfer;
    int64_t until = pw_breaker_next(&service->breaker, now_ms);
    step->until_ms = until == INT64_MAX ? -1 : until;
    take_out(service, transfer);
    transfer->service = NULL;
    service->refused++;
    settle(services, service, now_ms);
}

static uint32_t at_once_of(const pw_http_table *services, const pw_http_transfer *transfer)
{
    return transfer->call.at_once ? transfer->call.at_once : services->at_once;
}

static double per_second_of(const pw_http_table *services, const pw_http_transfer *transfer)
{
    return transfer->call.per_second > 0 ? transfer->call.per_second : services->per_second;
}

static pw_breaker_settings breaker_of(const pw_http_table *services, const pw_http_transfer *transfer)
{
    pw_breaker_settings out = transfer->call.breaker;
    out.failures = out.failures ? out.failures : services->breaker.failures;
    out.throughput = out.throughput ? out.throughput : services->breaker.throughput;
    out.window_ms = out.window_ms ? out.window_ms : services->breaker.window_ms;
    out.break_ms = out.break_ms ? out.break_ms : services->breaker.break_ms;
    return out;
}

/* Everything but the rate and the room of the driver. */
static void look(pw_http_table *services, pw_http_lane *service, int64_t now_ms, pw_http_step *step)
{
    bool to_ask;
    pw_pass pass = ask_breaker(services, service, now_ms, &to_ask);
    bool probe_near = to_ask || pass == PW_PASS_PROBE || (service->asked && pw_breaker_next(&service->breaker, now_ms) <= now_ms);
    if (service->hasty_first && shut(service)) {
        pw_http_transfer *transfer = to_refuse(service, probe_near);
        if (transfer) {
            refuse(services, service, transfer, now_ms, step);
            return;
        }
    }
    if (to_ask)
        want_probe(step, service, now_ms);
    if (pass == PW_PASS_NO) {
        int64_t next = pw_breaker_next(&service->breaker, now_ms);
        if (next <= now_ms) /* it was asked for the probe */
            next = service->asked_ms + PW_HTTP_SERVICE_ASK_AGAIN_MS;
        hold(services, service, PW_HOLD_BREAKER, next);
    } else if (service->active >= at_once_of(services, service->first)) {
        hold(services, service, PW_HOLD_PLACES, INT64_MAX);
    } else {
        service->hold = PW_HOLD_NONE;
        set_timer(services, service, INT64_MAX);
        enlist(services, service->active ? &services->able : &services->fresh, service);
    }
}

static void add_sent(pw_http_table *services, pw_http_transfer *transfer)
{
    transfer->sent = true;
    transfer->before = services->sent_last;
    if (services->sent_last)
        services->sent_last->behind = transfer;
    else
        services->sent_first = transfer;
    services->sent_last = transfer;
}

static void remove_sent(pw_http_table *services, pw_http_transfer *transfer)
{
    if (transfer->before)
        transfer->before->behind = transfer->behind;
    else
        services->sent_first = transfer->behind;
    if (transfer->behind)
        transfer->behind->before = transfer->before;
    else
        services->sent_last = transfer->before;
    transfer->before = transfer->behind = NULL;
    transfer->sent = false;
}

/* The first of an able service. What has made it able still holds: any change makes it ready. But time goes on. */
static void send_first(pw_http_table *services, pw_http_lane *service, int64_t now_ms, pw_http_step *step)
{
    pw_http_transfer *transfer = service->first;
    bool to_ask;
    int64_t again_ms;
    pw_pass pass = ask_breaker(services, service, now_ms, &to_ask);
    if (pass == PW_PASS_NO) {
        enlist(services, &services->ready, service);
        return;
    }
    if (!pw_rate_take(&service->rate, per_second_of(services, transfer), now_ms, &again_ms)) {
        hold(services, service, PW_HOLD_RATE, again_ms);
        return;
    }
    transfer->probe = pass == PW_PASS_PROBE;
    if (transfer->probe) {
        pw_breaker_probe(&service->breaker);
        service->ours = service->asked = false;
    }
    take_out(service, transfer);
    add_sent(services, transfer);
    service->active++;
    service->sent++;
    settle(services, service, now_ms);
    step->kind = PW_STEP_SEND;
    step->transfer = transfer;
}

/* Slow services cannot take all places: the last eighth is for those with nothing under way, and these go first. */
static pw_http_lane *next_able(const pw_http_table *services, uint32_t room)
{
    if (services->fresh.first && room > 0)
        return services->fresh.first;
    return room > services->kept ? services->able.first : NULL;
}

void pw_http_services_step(pw_http_table *services, uint32_t room, int64_t now_ms, pw_http_step *step)
{
    bool back = now_ms < services->last_ms; /* then no timer is right: all are set anew */
    services->last_ms = now_ms;
    step->kind = PW_STEP_NONE;
    while (services->timer_count && (back || services->timers[0]->look_ms <= now_ms)) {
        pw_http_lane *service = services->timers[0];
        set_timer(services, service, INT64_MAX);
        enlist(services, &services->ready, service);
    }
    while (step->kind == PW_STEP_NONE) {
        pw_http_lane *next = next_able(services, room);
        if (services->ready.first)
            look(services, services->ready.first, now_ms, step);
        else if (next)
            send_first(services, next, now_ms, step);
        else
            return;
    }
}

/* ------------------------------------------------------------------ what has happened */

static void remember_error(pw_http_lane *service, const pw_call_result *result)
{
    if (result->answered)
        (void)snprintf(service->last_error, sizeof service->last_error, "answered with status %d", (int)result->status);
    else
        (void)snprintf(service->last_error, sizeof service->last_error, PW_FMT, PW_ARG(result->error));
    size_t len = pw_utf8_valid_length(pw_str_of(service->last_error));
    service->last_error[len] = '\0'; /* cut within a character */
}

static void tell(pw_http_step *step, const pw_http_lane *service, const pw_breaker_settings *settings, bool probe, int64_t now_ms)
{
    wish(step, service, service->breaker.state, now_ms);
    if (service->breaker.state == PW_BREAKER_CLOSED)
        (void)snprintf(step->reason, sizeof step->reason, "the probe went well");
    else if (probe)
        (void)snprintf(step->reason, sizeof step->reason, "the probe failed: %s", service->last_error);
    else
        (void)snprintf(step->reason, sizeof step->reason, "at least %u of at least %u calls failed within %llu ms; the last: %s",
                       settings->failures, settings->throughput, (unsigned long long)settings->window_ms, service->last_error);
}

void pw_http_services_ended(pw_http_table *services, pw_http_transfer *transfer, pw_call_verdict verdict, int64_t now_ms,
                       pw_http_step *step)
{
    pw_http_lane *service = transfer->service;
    bool probe = transfer->probe;
    step->kind = PW_STEP_NONE;
    PW_ASSERT(transfer->sent && service->active > 0);
    service->active--;
    remove_sent(services, transfer);
    transfer->probe = false;
    transfer->service = NULL;
    if (verdict == PW_VERDICT_BAD) {
        service->failed++;
        remember_error(service, &transfer->call.result);
    }
    if (verdict != PW_VERDICT_NONE) {
        pw_breaker_settings settings = breaker_of(services, transfer);
        if (pw_breaker_ended(&service->breaker, &settings, probe, verdict == PW_VERDICT_BAD, now_ms))
            tell(step, service, &settings, probe, now_ms);
    } else if (probe) { /* it is still ours to send one */
        pw_breaker_probe_lost(&service->breaker, now_ms);
        service->ours = services->stored;
    }
    settle(services, service, now_ms);
}

void pw_http_services_told(pw_http_table *services, pw_http_lane *service, const pw_breaker_record *record, bool ours, int64_t now_ms)
{
    /* What we know already may be older than what has happened here since; but it is an answer if we have asked. */
    if (record->epoch && (record->epoch < service->epoch || (record->epoch == service->epoch && !service->asked)))
        return;
    service->epoch = record->epoch;
    service->asked = false;
    service->ours = ours && record->state == PW_BREAKER_HALF_OPEN;
    service->ours_until_ms = record->probe_until_ms >= 0 ? record->probe_until_ms : INT64_MAX;
    pw_breaker_take(&service->breaker, record, now_ms);
    settle(services, service, now_ms);
}
