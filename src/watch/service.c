/* service.c - see service.h. */
#include <stdio.h>
#include "watch/service.h"

pawl_code pw_service_init(pw_service *service, const char *name, uint64_t interval_ms, bool enabled, pawl_error *err)
{
    int failed = pthread_mutex_init(&service->lock, NULL);
    if (failed)
        return pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory");
    service->state = (pw_service_state){ .name = name,
                                         .enabled = enabled,
                                         .interval_ms = interval_ms,
                                         .begun_ms = -1,
                                         .ended_ms = -1,
                                         .good_ms = -1,
                                         .failed_ms = -1,
                                         .oldest_ms = -1 };
    return PAWL_OK;
}

void pw_service_done(pw_service *service)
{
    (void)pthread_mutex_destroy(&service->lock);
}

void pw_service_expect(pw_service *service, uint64_t interval_ms, bool enabled)
{
    (void)pthread_mutex_lock(&service->lock);
    service->state.interval_ms = interval_ms;
    service->state.enabled = enabled;
    (void)pthread_mutex_unlock(&service->lock);
}

void pw_service_begin(pw_service *service, int64_t now_ms)
{
    (void)pthread_mutex_lock(&service->lock);
    service->state.working = true;
    service->state.begun_ms = now_ms;
    (void)pthread_mutex_unlock(&service->lock);
}

void pw_service_end(pw_service *service, int64_t now_ms, uint64_t items, uint64_t failed_items, const pawl_error *failure)
{
    (void)pthread_mutex_lock(&service->lock);
    pw_service_state *s = &service->state;
    s->working = false;
    s->ended_ms = now_ms;
    s->rounds++;
    s->items += items;
    s->failed_items += failed_items;
    if (failure && failure->code != PAWL_OK) {
        s->failed_ms = now_ms;
        s->failed_rounds++;
        s->failures_in_row++;
        (void)snprintf(s->error, sizeof s->error, "%.*s", (int)sizeof s->error - 1, failure->message);
    } else {
        s->good_ms = now_ms;
        s->failures_in_row = 0;
        s->error[0] = '\0';
    }
    (void)pthread_mutex_unlock(&service->lock);
}

void pw_service_backlog(pw_service *service, uint64_t backlog, int64_t oldest_ms)
{
    (void)pthread_mutex_lock(&service->lock);
    service->state.backlog = backlog;
    service->state.oldest_ms = oldest_ms;
    (void)pthread_mutex_unlock(&service->lock);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

typedef struct service_sum {
    pw_service_state state;
    int64_t begun_ms; /* the first */
    int64_t error_ms; /* of the newest error of those that fail now */
} service_sum;

static void add_part(service_sum *sum, const pw_service_state *part)
{
    pw_service_state *to = &sum->state;
    if (part->failures_in_row > 0 && part->failed_ms >= sum->error_ms) {
        memcpy(to->error, part->error, sizeof to->error);
        sum->error_ms = part->failed_ms;
    }
    if (part->failures_in_row > to->failures_in_row)
        to->failures_in_row = part->failures_in_row;
    sum->begun_ms = part->begun_ms < sum->begun_ms ? part->begun_ms : sum->begun_ms;
    to->working = to->working || part->working;
    to->ended_ms = later(to->ended_ms, part->ended_ms);
    to->good_ms = later(to->good_ms, part->good_ms);
    to->failed_ms = later(to->failed_ms, part->failed_ms);
    to->rounds += part->rounds;
    to->failed_rounds += part->failed_rounds;
    to->items += part->items;
    to->failed_items += part->failed_items;
    to->backlog += part->backlog;
    if (part->oldest_ms >= 0 && (to->oldest_ms < 0 || part->oldest_ms < to->oldest_ms))
        to->oldest_ms = part->oldest_ms;
}

void pw_service_sum(pw_service *service, pw_service *const *parts, size_t count)
{
    service_sum all = { .state = { .ended_ms = -1, .good_ms = -1, .failed_ms = -1, .oldest_ms = -1 },
                        .begun_ms = INT64_MAX,
                        .error_ms = -1 };
    pw_service_state *sum = &all.state;
    for (size_t i = 0; i < count; i++) {
        pw_service_state part;
        pw_service_look(parts[i], &part);
        add_part(&all, &part);
    }
    sum->begun_ms = count > 0 ? all.begun_ms : -1;
    (void)pthread_mutex_lock(&service->lock);
    sum->name = service->state.name;
    sum->enabled = service->state.enabled;
    sum->interval_ms = service->state.interval_ms;
    service->state = *sum;
    (void)pthread_mutex_unlock(&service->lock);
}

void pw_service_look(pw_service *service, pw_service_state *out)
{
    (void)pthread_mutex_lock(&service->lock);
    *out = service->state;
    (void)pthread_mutex_unlock(&service->lock);
}

pw_service_health pw_service_judge(const pw_service_state *state, int64_t now_ms)
{
    enum { GRACE_MS = 10000 };
    if (!state->enabled)
        return PW_SERVICE_DISABLED;
    if (state->failures_in_row > 0)
        return PW_SERVICE_FAILING;
    if (state->interval_ms > 0 && state->begun_ms >= 0 &&
        now_ms - state->begun_ms > (int64_t)(PW_SERVICE_LATE * state->interval_ms) + GRACE_MS)
        return PW_SERVICE_OVERDUE;
    return PW_SERVICE_UP;
}

const char *pw_service_health_name(pw_service_health health)
{
    switch (health) {
    case PW_SERVICE_UP:
        return "up";
    case PW_SERVICE_DISABLED:
        return "disabled";
    case PW_SERVICE_FAILING:
        return "failing";
    case PW_SERVICE_OVERDUE:
        return "overdue";
    }
    return "";
}
