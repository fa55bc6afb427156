/* background.c - see background.h. */
#include "engine/background.h"

#define NS_PER_MS UINT64_C(1000000)
enum { FIRST_DELAY_MS = 1000, LAST_DELAY_MS = 60000 };

struct pw_background {
    pw_background_options options;
    pw_thread thread;
    pthread_mutex_t lock; /* of what follows; not held in a round */
    pthread_cond_t changed;
    bool stop, woken;
    uint64_t next_ns;
    uint64_t begun, ended, wanted; /* rounds */
};

/* Until the next round; false: no more. */
static bool wait_for_round(pw_background *b)
{
    (void)pthread_mutex_lock(&b->lock);
    while (!b->stop && !b->woken && b->wanted <= b->begun && pw_monotonic_ns() < b->next_ns)
        (void)pw_condition_wait(&b->changed, &b->lock, b->next_ns);
    bool go_on = !b->stop;
    b->woken = false;
    b->begun++;
    (void)pthread_mutex_unlock(&b->lock);
    return go_on;
}

static uint64_t delay_after(uint32_t failures, uint64_t interval_ms)
{
    const uint64_t delay = failures > 6 ? LAST_DELAY_MS : (uint64_t)FIRST_DELAY_MS << (failures - 1);
    return interval_ms > 0 && interval_ms < delay ? interval_ms : delay;
}

static void run(void *context)
{
    pw_background *b = context;
    const pw_background_options *o = &b->options;
    uint32_t failures = 0;
    while (wait_for_round(b)) {
        pw_round round = { .next_ms = o->interval_ms ? o->interval_ms : UINT64_MAX };
        pawl_error err = { .code = PAWL_OK };
        pw_service_begin(o->service, o->now_ms(o->context));
        pawl_code code = o->round(o->context, &round, &err);
        pw_service_end(o->service, o->now_ms(o->context), round.items, round.failed, code == PAWL_OK ? NULL : &err);
        if (o->ended)
            o->ended(o->context);
        failures = code == PAWL_OK ? 0 : failures + 1;
        if (code != PAWL_OK)
            round.next_ms = delay_after(failures, o->interval_ms);
        uint64_t now = pw_monotonic_ns();
        (void)pthread_mutex_lock(&b->lock);
        b->ended = b->begun;
        b->next_ns = round.next_ms < (UINT64_MAX - now) / NS_PER_MS ? now + round.next_ms * NS_PER_MS : UINT64_MAX;
        pw_condition_wake(&b->changed);
        (void)pthread_mutex_unlock(&b->lock);
    }
}

pawl_code pw_background_start(pw_background **out, const pw_background_options *options, pawl_error *err)
{
    pw_background *b = pw_zalloc(sizeof *b);
    if (!b)
        return pw_no_memory(err);
    b->options = *options;
    b->next_ns = UINT64_MAX;
    if (options->at_start)
        b->next_ns = 0;
    else if (options->first_ms > 0)
        b->next_ns = pw_monotonic_ns() + options->first_ms * NS_PER_MS;
    else if (options->interval_ms > 0 && options->interval_ms < UINT64_MAX / NS_PER_MS / 2)
        b->next_ns = pw_monotonic_ns() + options->interval_ms * NS_PER_MS;
    int failed = pthread_mutex_init(&b->lock, NULL);
    pawl_code code = failed ? pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory") : PAWL_OK;
    if (code == PAWL_OK && (code = pw_condition_init(&b->changed, err)) != PAWL_OK)
        (void)pthread_mutex_destroy(&b->lock);
    if (code != PAWL_OK) {
        pw_free(b);
        return code;
    }
    pw_service_expect(options->service, options->interval_ms, true);
    *out = b; /* before the thread: its rounds may ask for it */
    code = pw_thread_start(&b->thread, options->thread, run, b, err);
    if (code != PAWL_OK) {
        *out = NULL;
        pw_background_free(b);
    }
    return code;
}

void pw_background_wake(pw_background *b)
{
    if (!b)
        return;
    (void)pthread_mutex_lock(&b->lock);
    b->woken = true;
    pw_condition_wake(&b->changed);
    (void)pthread_mutex_unlock(&b->lock);
}

bool pw_background_stopping(pw_background *b)
{
    if (!b)
        return false;
    (void)pthread_mutex_lock(&b->lock);
    bool stop = b->stop;
    (void)pthread_mutex_unlock(&b->lock);
    return stop;
}

pawl_code pw_background_wait(pw_background *b, uint64_t deadline_ns, pawl_error *err)
{
    (void)pthread_mutex_lock(&b->lock);
    uint64_t wanted = b->begun + 1;
    if (b->wanted < wanted)
        b->wanted = wanted;
    pw_condition_wake(&b->changed);
    bool in_time = true;
    while (!b->stop && b->ended < wanted && in_time)
        in_time = pw_condition_wait(&b->changed, &b->lock, deadline_ns);
    bool ended = b->ended >= wanted;
    bool stop = b->stop;
    (void)pthread_mutex_unlock(&b->lock);
    if (ended)
        return PAWL_OK;
    if (stop)
        return pw_fail(err, PAWL_BUSY, "closing");
    return pw_fail(err, PAWL_TIMEOUT, "service '%s': its round goes on", b->options.service->state.name);
}

void pw_background_stop(pw_background *b)
{
    if (!b)
        return;
    (void)pthread_mutex_lock(&b->lock);
    b->stop = true;
    pw_condition_wake(&b->changed);
    (void)pthread_mutex_unlock(&b->lock);
}

void pw_background_free(pw_background *b)
{
    if (!b)
        return;
    pw_background_stop(b);
    pw_thread_join(&b->thread);
    pw_condition_done(&b->changed);
    (void)pthread_mutex_destroy(&b->lock);
    pw_free(b);
}
