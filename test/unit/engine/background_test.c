/* background_test.c - a thread that goes round: when, how it is stopped, and what a round that fails does to the next. */
#include <limits.h>
#include "fixture.h"
#include "engine/background.h"

#define DAY 86400000ull

typedef struct turns {
    pw_background *thread;
    pw_service service;
    gate gate;       /* a round enters it, and ends with a permit */
    atomic_uint ran;
    unsigned bad;    /* the first so many fail */
    uint64_t next_ms;
    pawl_error err;
} turns;

static pawl_code one_round(void *context, pw_round *out, pawl_error *err)
{
    turns *t = context;
    unsigned number = atomic_fetch_add(&t->ran, 1) + 1;
    (void)pthread_mutex_lock(&t->gate.lock);
    t->gate.entered++;
    (void)pthread_cond_broadcast(&t->gate.changed);
    while (t->gate.permits == 0)
        (void)pthread_cond_wait(&t->gate.changed, &t->gate.lock);
    if (t->gate.permits != UINT_MAX)
        t->gate.permits--;
    (void)pthread_mutex_unlock(&t->gate.lock);
    out->items = 2;
    out->failed = 1;
    if (t->next_ms)
        out->next_ms = t->next_ms;
    return number <= t->bad ? pw_fail(err, PAWL_IO, "round %u", number) : PAWL_OK;
}

static int64_t at_noon(void *context)
{
    (void)context;
    return 1800000000000;
}

static void begin(turns *t, uint64_t interval_ms, bool at_start, uint64_t first_ms)
{
    gate_init(&t->gate);
    atomic_init(&t->ran, 0);
    EXPECT_OK(pw_service_init(&t->service, "turns", interval_ms, true, &t->err), t->err);
    const pw_background_options options = { .thread = "turns",
                                            .service = &t->service,
                                            .interval_ms = interval_ms,
                                            .at_start = at_start,
                                            .first_ms = first_ms,
                                            .context = t,
                                            .round = one_round,
                                            .now_ms = at_noon };
    EXPECT_OK(pw_background_start(&t->thread, &options, &t->err), t->err);
}

static void end(turns *t)
{
    gate_open(&t->gate, UINT_MAX);
    pw_background_free(t->thread);
    pw_service_done(&t->service);
    gate_done(&t->gate);
}

static uint64_t in_time(void)
{
    return pw_monotonic_ns() + WAIT_MS * 1000000ull;
}

TEST(background, a_round_begins_at_the_start_when_it_was_asked_for)
{
    turns t = { 0 };
    begin(&t, DAY, true, 0);
    gate_wait_entered(&t.gate, 1);
    end(&t);
    EXPECT_INT(atomic_load(&t.ran), 1);
}

TEST(background, the_first_round_comes_sooner_than_the_interval_where_that_is_said)
{
    turns t = { 0 };
    begin(&t, DAY, false, 1);
    gate_wait_entered(&t.gate, 1);
    end(&t);
    EXPECT_INT(atomic_load(&t.ran), 1);
}

TEST(background, without_an_interval_a_round_comes_when_it_is_woken_and_not_before)
{
    turns t = { 0 };
    begin(&t, 0, false, 0);
    gate_open(&t.gate, UINT_MAX);
    EXPECT_INT(atomic_load(&t.ran), 0);
    pw_background_wake(t.thread);
    gate_wait_entered(&t.gate, 1);
    EXPECT_OK(pw_background_wait(t.thread, in_time(), &t.err), t.err); /* a whole one, after the call */
    EXPECT_INT(atomic_load(&t.ran), 2);
    end(&t);
}

TEST(background, a_round_goes_on_at_once_where_it_says_that_there_is_more)
{
    turns t = { .next_ms = 1 };
    begin(&t, DAY, true, 0);
    gate_open(&t.gate, 5);
    gate_wait_entered(&t.gate, 6); /* the sixth waits in the gate */
    pw_service_state state;
    pw_service_look(&t.service, &state);
    EXPECT_INT(state.rounds, 5);
    EXPECT_INT(state.items, 10);
    EXPECT_INT(state.failed_items, 5);
    EXPECT(state.working);
    end(&t);
}

TEST(background, who_waits_for_a_round_is_told_when_it_goes_on_too_long_and_when_it_is_stopped)
{
    turns t = { 0 };
    begin(&t, DAY, true, 0);
    gate_wait_entered(&t.gate, 1);
    EXPECT_INT(pw_background_wait(t.thread, pw_monotonic_ns() + 1000000, &t.err), PAWL_TIMEOUT);
    EXPECT_TEXT(t.err.message, "service 'turns': its round goes on");
    EXPECT(!pw_background_stopping(t.thread));
    EXPECT(!pw_background_stopping(NULL));
    pw_background_stop(t.thread);
    EXPECT(pw_background_stopping(t.thread));
    EXPECT_INT(pw_background_wait(t.thread, in_time(), &t.err), PAWL_BUSY);
    EXPECT_TEXT(t.err.message, "closing");
    end(&t);
    EXPECT_INT(atomic_load(&t.ran), 1); /* the round that was under way has ended, and no other came */
}

/* The delay after a failure is never longer than the interval: eight failures would else take minutes. */
TEST(background, rounds_that_fail_are_told_of_and_followed_by_the_next_within_the_interval)
{
    enum { BAD = 8 };
    turns t = { .bad = BAD };
    begin(&t, 1, true, 0);
    gate_open(&t.gate, BAD);
    gate_wait_entered(&t.gate, BAD + 1);
    pw_service_state state;
    pw_service_look(&t.service, &state);
    EXPECT_INT(state.failed_rounds, BAD);
    EXPECT_INT(state.failures_in_row, BAD);
    EXPECT_TEXT(state.error, "round 8");
    gate_open(&t.gate, UINT_MAX);
    EXPECT_OK(pw_background_wait(t.thread, in_time(), &t.err), t.err);
    pw_service_look(&t.service, &state);
    EXPECT_INT(state.failed_rounds, BAD);
    EXPECT_INT(state.failures_in_row, 0);
    EXPECT_TEXT(state.error, "");
    end(&t);
}

TEST(background, after_a_failure_nobody_waits_for_the_interval)
{
    turns t = { .bad = 1 };
    begin(&t, DAY, true, 0);
    gate_open(&t.gate, 1);
    gate_wait_entered(&t.gate, 2); /* a second later */
    end(&t);
    EXPECT_INT(atomic_load(&t.ran), 2);
}

TEST(background, nobody_is_woken_or_stopped_without_a_thread)
{
    pw_background_wake(NULL);
    pw_background_stop(NULL);
    pw_background_free(NULL);
}

TEST_MAIN()
