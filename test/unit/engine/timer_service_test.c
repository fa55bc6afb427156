/* timer_service_test.c - what is due is done: the oldest first, a batch at once, once; over downtime, clocks that jump, a store
 * that fails, and the end of the process. */
#include <malloc.h>
#include "fixture.h"
#include "engine/clock.h"

#define T0 1800000000000ull /* 2027-01-15T08:00:00.000Z */

static const char nap[] = "  - nap: {wait: {seconds: \"${ .s }\"}}";

/* ------------------------------------------------------------------ who woke, in which order */

enum { WOKEN_MAX = 256 };
static struct {
    pthread_mutex_t lock;
    size_t count;
    uint32_t most; /* timers of the shard that were uncommitted at once */
    char ids[WOKEN_MAX][PW_ID_SIZE];
} woken = { .lock = PTHREAD_MUTEX_INITIALIZER };

static _Atomic(pawl *) watched; /* NULL: it begins already, and is not given to us yet */

/* By the shard's own thread. */
static void on_step(void *context, const char *entries)
{
    (void)context;
    if (!strstr(entries, "\"sequence\":2,"))
        return;
    const pawl *p = atomic_load(&watched);
    const uint32_t waking = p ? p->shards[0]->waking + 1 : 0; /* and this one */
    const char *id = strstr(entries, "\"instance\":\"");
    (void)pthread_mutex_lock(&woken.lock);
    if (id && woken.count < WOKEN_MAX)
        memcpy(woken.ids[woken.count++], id + strlen("\"instance\":\""), PW_ID_SIZE - 1);
    woken.most = waking > woken.most ? waking : woken.most;
    (void)pthread_mutex_unlock(&woken.lock);
}

/* ------------------------------------------------------------------ an engine whose clock stands */

static void open_at(fixture *f, const char *store, uint32_t batch)
{
    atomic_store(&watched, NULL);
    woken.count = woken.most = 0;
    fixture_init(f, store);
    f->options.step_threads = 1;
    f->options.timer_batch = batch;
    f->options.on_step = on_step;
    fixture_clock(f, T0);
    fixture_open(f);
    atomic_store(&watched, f->p);
    deploy(f, "nap", nap);
}

static char *sleep_for(fixture *f, unsigned seconds)
{
    char input[32];
    (void)snprintf(input, sizeof input, "{\"s\":%u}", seconds);
    return start(f, "nap", input);
}

static void drain(fixture *f)
{
    EXPECT_OK(pawl_drain(f->p, WAIT_MS, &f->err), f->err);
}

static void go_round(fixture *f)
{
    bool whole;
    EXPECT_OK(pw_recovery_round(f->p->recovery, pw_monotonic_ns() + WAIT_MS * 1000000ull, &whole, &f->err), f->err);
}

/* Down for so long. */
static void be_down(fixture *f, uint64_t ms)
{
    atomic_store(&watched, NULL);
    fixture_close(f);
    fixture_clock(f, atomic_load(&f->now_ms) + ms);
    fixture_open(f);
    atomic_store(&watched, f->p);
}

static pw_service_state service_of(fixture *f)
{
    pw_service_state state;
    pw_service_look(&f->p->services[PW_SERVICE_TIMERS], &state);
    return state;
}

static pw_store_counts counts_of(fixture *f)
{
    pw_store_counts counts;
    pw_store_count(f->p->store, &counts);
    return counts;
}

static void expect_status(fixture *f, const char *id, const char *expected)
{
    char *text = show(f, id);
    EXPECT_ASK(text, ".status", expected);
    pawl_free(text);
}

/* ------------------------------------------------------------------ start: what was due while nobody was there */

TEST(timer_service, a_backlog_after_downtime_drains_the_oldest_first)
{
    enum { COUNT = 40 };
    fixture f;
    char *ids[COUNT + 1];
    open_at(&f, NULL, 1);
    for (unsigned i = 0; i < COUNT; i++) { /* due in another order than started in: 7 and 41 have no common divisor */
        unsigned at = (i * 7) % 41;
        ids[at] = sleep_for(&f, 60 + at);
    }
    be_down(&f, 3600000);
    drain(&f);
    EXPECT_INT(woken.count, COUNT);
    size_t next = 0;
    for (unsigned at = 0; at <= COUNT; at++) {
        if (at == (COUNT * 7) % 41)
            continue;
        EXPECT_TEXT(woken.ids[next++], ids[at]);
        expect_status(&f, ids[at], "\"completed\"");
        pawl_free(ids[at]);
    }
    fixture_done(&f);
}

/* A page is committed before the next one is read. */
TEST(timer_service, of_a_backlog_no_more_than_a_batch_is_uncommitted)
{
    enum { COUNT = 70, BATCH = 7 };
    fixture f;
    open_at(&f, NULL, BATCH);
    for (unsigned i = 0; i < COUNT; i++)
        pawl_free(sleep_for(&f, 60));
    be_down(&f, 60000);
    drain(&f);
    const pw_store_counts counts = counts_of(&f);
    EXPECT_INT(woken.count, COUNT);
    EXPECT_INT(counts.items, COUNT);
    EXPECT(counts.commits >= COUNT / BATCH);
    EXPECT(woken.most <= BATCH);
    fixture_done(&f);
}

TEST(timer_service, a_timeout_that_was_due_while_nobody_was_there_ends_its_wait)
{
    fixture f;
    open_at(&f, NULL, 20);
    deploy(&f, "ask", "  - ask: {call: userTask, with: {key: ok}, timeout: {after: {minutes: 1}}}");
    char *id = start(&f, "ask", NULL);
    be_down(&f, 60000);
    drain(&f);
    char *text = show(&f, id);
    EXPECT_ASK(text, "[.status, .error.status]", "[\"faulted\",408]");
    pawl_free(text);
    text = steps(&f, id);
    EXPECT_ASK(text, "[.steps[1].event, .steps[1].at]", "[\"timer\",\"2027-01-15T08:01:00.000Z\"]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ work: while it is there */

TEST(timer_service, timers_of_the_window_wait_for_each_other_too)
{
    enum { COUNT = 700, BATCH = 7 };
    fixture f;
    open_at(&f, "memory:", BATCH);
    for (unsigned i = 0; i < COUNT; i++)
        pawl_free(sleep_for(&f, 60));
    drain(&f);
    const pw_store_counts before = counts_of(&f);
    fixture_clock(&f, T0 + 60000);
    drain(&f);
    const pw_store_counts after = counts_of(&f);
    EXPECT_INT(pw_histogram_count(&f.p->lateness), COUNT);
    EXPECT_INT(after.items - before.items, COUNT);
    /* the shard's own, and a batch of the recovery's, who sees the clock jump */
    EXPECT(woken.most <= PW_WAKING_MAX + BATCH);
    EXPECT_INT(f.p->shards[0]->waking, 0);
    fixture_done(&f);
}

TEST(timer_service, lateness_is_counted_for_every_timer)
{
    fixture f;
    open_at(&f, "memory:", 20);
    pawl_free(sleep_for(&f, 60));
    pawl_free(sleep_for(&f, 61));
    drain(&f);
    EXPECT_INT(pw_histogram_count(&f.p->lateness), 0);
    fixture_clock(&f, T0 + 60300);
    drain(&f);
    EXPECT_INT(pw_histogram_count(&f.p->lateness), 1);
    EXPECT_INT(atomic_load(&f.p->lateness.sum_us), 300000);
    fixture_clock(&f, T0 + 61000);
    drain(&f);
    EXPECT_INT(pw_histogram_count(&f.p->lateness), 2);
    EXPECT_INT(atomic_load(&f.p->lateness.sum_us), 300000);
    fixture_done(&f);
}

/* Beyond the window it is a row, and within it a slot: with its places in table and heap less than 100 bytes. */
TEST(timer_service, a_sleeper_takes_no_memory_beyond_the_window_and_less_than_100_bytes_in_it)
{
    enum { COUNT = 1500 };
    fixture f;
    open_at(&f, NULL, 20);
    for (unsigned i = 0; i < COUNT; i++)
        pawl_free(sleep_for(&f, 3600));
    be_down(&f, 0);
    drain(&f);
    const pw_shard *shard = f.p->shards[0];
    EXPECT_INT(shard->slot_count, 0);
    EXPECT_INT(shard->idle_count, 0);
    fixture_clock(&f, T0 + 3400000); /* 200 s before: in the window */
    drain(&f);
    EXPECT_INT(shard->slot_count, COUNT);
    EXPECT_INT(shard->heap_count, COUNT);
    EXPECT_INT(shard->idle_count, 0);
    size_t bytes = (shard->bucket_count + shard->heap_size) * sizeof(pw_slot *);
    for (size_t i = 0; i < shard->heap_count; i++)
        bytes += malloc_usable_size(shard->heap[i]) + sizeof(size_t);
    EXPECT(bytes < 100 * COUNT);
    fixture_clock(&f, T0 + 3600000);
    drain(&f);
    EXPECT_INT(shard->slot_count, 0);
    EXPECT_INT(pw_histogram_count(&f.p->lateness), COUNT);
    fixture_done(&f);
}

TEST(timer_service, who_runs_for_long_is_told_of_once_also_when_that_was_missed)
{
    fixture f;
    pawl_resilience resilience = test_retries(0);
    fixture_init(&f, NULL);
    resilience.long_running_ms = 3600000;
    f.options.resilience = &resilience;
    fixture_clock(&f, T0);
    fixture_open(&f);
    deploy(&f, "ask", "  - ask: {call: userTask, with: {key: ok}}");
    char *id = start(&f, "ask", NULL);
    be_down(&f, 7200000); /* missed by an hour */
    static const char told[] = "[.steps[].entries[] | select(.type == \"instance.long-running\") | .thresholdMs]";
    for (unsigned i = 0; i < 3; i++) {
        drain(&f);
        char *text = steps(&f, id);
        EXPECT_ASK(text, told, "[3600000]");
        pawl_free(text);
        be_down(&f, 3600000);
    }
    pawl_free(id);
    fixture_done(&f);
}

TEST(timer_service, it_says_how_it_is)
{
    fixture f;
    open_at(&f, "memory:", 20);
    f.options.check_ms = 12345;
    be_down(&f, 0);
    deploy(&f, "nap", nap);
    for (unsigned i = 0; i < 3; i++)
        pawl_free(sleep_for(&f, 60));
    fixture_clock(&f, T0 + 60000);
    drain(&f);
    go_round(&f);
    const pw_service_state state = service_of(&f);
    EXPECT_TEXT(state.name, "timers");
    EXPECT(state.enabled);
    EXPECT_INT(state.interval_ms, 12345);
    EXPECT_INT(state.items, 3);
    EXPECT_INT(state.failed_rounds, 0);
    EXPECT_INT(state.backlog, 0);
    EXPECT_INT(state.oldest_ms, -1);
    EXPECT_INT(state.good_ms, T0 + 60000);
    EXPECT_INT(pw_service_judge(&state, T0 + 60000), PW_SERVICE_UP);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ clocks */

TEST(timer_service, a_clock_that_is_set_back_makes_timers_wait_and_no_step_older)
{
    fixture f;
    open_at(&f, "memory:", 20);
    deploy(&f, "two", "  - one: {wait: {seconds: 60}}\n  - two: {wait: {seconds: 60}}");
    char *id = start(&f, "two", NULL);
    fixture_clock(&f, T0 + 60000);
    drain(&f);
    const uint64_t jumps = atomic_load(&f.p->clock_jumps);
    fixture_clock(&f, T0 - 3600000);
    go_round(&f);
    EXPECT_INT(atomic_load(&f.p->clock_jumps), jumps + 1);
    drain(&f);
    expect_status(&f, id, "\"waiting\"");
    char *work = start(&f, "nap", "{\"s\":0}"); /* what is new goes on */
    pawl_free(finish(&f, work));
    pawl_free(work);
    EXPECT_OK(pawl_suspend(f.p, id, NULL, NULL, &f.err), f.err);
    EXPECT_OK(pawl_continue(f.p, id, NULL, NULL, &f.err), f.err);
    fixture_clock(&f, T0 + 120000);
    drain(&f);
    char *text = steps(&f, id);
    EXPECT_ASK(text, "[.steps[].at[11:19]]",
               "[\"08:00:00\",\"08:01:00\",\"08:01:00\",\"08:01:00\",\"08:02:00\"]");
    pawl_free(text);
    expect_status(&f, id, "\"completed\"");
    pawl_free(id);
    fixture_done(&f);
}

/* Farther than the window: what lies between is overdue, and never all in memory. */
TEST(timer_service, a_clock_that_is_set_forward_makes_all_that_is_due_fire)
{
    enum { COUNT = 30 };
    fixture f;
    char *ids[COUNT];
    open_at(&f, NULL, 1);
    for (unsigned i = 0; i < COUNT; i++)
        ids[i] = sleep_for(&f, 3600 + i * 600);
    be_down(&f, 0);
    drain(&f);
    EXPECT_INT(f.p->shards[0]->slot_count, 0);
    fixture_clock(&f, T0 + 86400000);
    drain(&f);
    EXPECT_INT(woken.count, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        EXPECT_TEXT(woken.ids[i], ids[i]);
        pawl_free(ids[i]);
    }
    EXPECT_INT(f.p->shards[0]->slot_count, 0);
    fixture_done(&f);
}

#define S UINT64_C(1000000000)

static void expect_news(pw_clock *clock, int64_t wall_ms, uint64_t monotonic_ns, uint64_t boot_ns, int64_t jumped_ms, uint64_t slept_ms)
{
    const pw_clock_news news = pw_clock_look(clock, wall_ms, monotonic_ns, boot_ns);
    EXPECT_INT(news.jumped_ms, jumped_ms);
    EXPECT_INT(news.slept_ms, slept_ms);
}

TEST(timer_service, a_jump_of_the_clock_and_a_sleep_of_the_machine_are_told_once)
{
    pw_clock clock = { 0 };
    expect_news(&clock, 5000000, 100 * S, 200 * S, 0, 0);
    expect_news(&clock, 5010000, 110 * S, 210 * S, 0, 0);
    expect_news(&clock, 8620000, 120 * S, 220 * S, 3600000, 0); /* set forward by an hour */
    expect_news(&clock, 8630000, 130 * S, 230 * S, 0, 0);
    expect_news(&clock, 5040000, 140 * S, 240 * S, -3600000, 0); /* and back */
    expect_news(&clock, 5050000, 150 * S, 250 * S, 0, 0);
    expect_news(&clock, 5350000, 151 * S, 550 * S, 0, 299000); /* it slept, and the clock went on: no jump */
    expect_news(&clock, 5360000, 161 * S, 560 * S, 0, 0);
    for (unsigned i = 1; i <= 1000; i++) /* half a second in ten: slewed, not set */
        expect_news(&clock, 5360000 + i * 10500, (161 + i * 10) * S, (560 + i * 10) * S, 0, 0);
}

/* ------------------------------------------------------------------ errors */

TEST(timer_service, while_the_store_fails_a_timer_waits_and_the_service_says_so)
{
    fixture f;
    open_at(&f, NULL, 20);
    char *id = sleep_for(&f, 3600);
    drain(&f);
    fill_disk(true);
    fixture_clock(&f, T0 + 3600000);
    pw_service_state state;
    do { /* a round that only reads is good, and comes between those that fail */
        go_round(&f);
        state = service_of(&f);
    } while (state.failures_in_row == 0);
    fill_disk(false);
    EXPECT_INT(pw_service_judge(&state, T0 + 3600000), PW_SERVICE_FAILING);
    EXPECT(state.error[0] != '\0');
    EXPECT_INT(state.failed_ms, T0 + 3600000);
    pawl_code code;
    while ((code = pawl_wait(f.p, id, PAWL_WAIT_END, WAIT_MS, NULL, &f.err)) == PAWL_IO)
        ;
    EXPECT_INT(code, PAWL_OK);
    do
        go_round(&f);
    while (service_of(&f).failures_in_row > 0);
    state = service_of(&f);
    EXPECT_TEXT(state.error, "");
    EXPECT_INT(pw_service_judge(&state, T0 + 3600000), PW_SERVICE_UP);
    EXPECT_INT(woken.count, 1);
    pawl_free(id);
    fixture_done(&f);
}

TEST(timer_service, switched_off_nothing_fires_and_what_is_in_flight_goes_on)
{
    fixture f;
    open_at(&f, NULL, 20);
    deploy(&f, "gated", "  - work: {call: gate, with: {}}");
    char *id = sleep_for(&f, 60), *later = sleep_for(&f, 120), *flight = start(&f, "gated", NULL);
    gate_wait_entered(&f.gate, 1);
    f.options.services_off = PAWL_SERVICE_TIMERS;
    be_down(&f, 60000); /* one is due at the start, the other while it runs */
    gate_wait_entered(&f.gate, 2);
    fixture_clock(&f, T0 + 180000);
    gate_open(&f.gate, 2);
    pawl_free(finish(&f, flight));
    EXPECT_INT(pawl_wait(f.p, id, PAWL_WAIT_END, 0, NULL, &f.err), PAWL_TIMEOUT); /* it is in memory now */
    drain(&f);
    expect_status(&f, id, "\"waiting\"");
    expect_status(&f, later, "\"waiting\"");
    const pw_service_state state = service_of(&f);
    EXPECT_INT(pw_service_judge(&state, T0 + 180000), PW_SERVICE_DISABLED);
    f.options.services_off = 0;
    be_down(&f, 0);
    drain(&f);
    expect_status(&f, id, "\"completed\"");
    expect_status(&f, later, "\"completed\"");
    pawl_free(flight);
    pawl_free(later);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ stop */

TEST(timer_service, closed_in_the_middle_of_a_backlog_each_timer_fires_once)
{
    enum { COUNT = 200 };
    fixture f;
    char *ids[COUNT];
    open_at(&f, NULL, 1);
    for (unsigned i = 0; i < COUNT; i++)
        ids[i] = sleep_for(&f, 60);
    be_down(&f, 60000);
    be_down(&f, 0); /* at once: most of them are not reached */
    be_down(&f, 0);
    drain(&f);
    EXPECT_INT(woken.count, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        char *text = show(&f, ids[i]);
        EXPECT_ASK(text, "[.status, .token]", "[\"completed\",2]");
        pawl_free(text);
        pawl_free(ids[i]);
    }
    fixture_done(&f);
}

TEST_MAIN()
