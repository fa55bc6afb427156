/* The circuit breaker: single stories, and properties that hold for every history, against a model
 * that remembers every call. The rate limit below it. */
#include <math.h>
#include "test.h"
#include "policy/breaker.h"
#include "policy/retry.h" /* pw_seed_next */

#define T0 INT64_C(1700000000000)

static const pw_breaker_settings usual = { 5, 10, 30000, 60000 };

/* `count` calls, one each ms from `at_ms` on; how many of them made it another. */
static unsigned calls(pw_breaker *b, unsigned count, bool failed, int64_t at_ms)
{
    unsigned changed = 0;
    for (unsigned i = 0; i < count; i++)
        changed += pw_breaker_ended(b, &usual, false, failed, at_ms + i);
    return changed;
}

/* Open since T0 + 9, until T0 + 60009. */
static pw_breaker opened(void)
{
    pw_breaker b = { 0 };
    EXPECT_INT(calls(&b, 10, true, T0), 1);
    EXPECT_INT(b.state, PW_BREAKER_OPEN);
    return b;
}

static pw_breaker probing(void)
{
    pw_breaker b = opened();
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 60009), PW_PASS_PROBE);
    pw_breaker_probe(&b);
    return b;
}

/* Closed by a probe at T0 + 60100. */
static pw_breaker closed_again(void)
{
    pw_breaker b = probing();
    EXPECT(pw_breaker_ended(&b, &usual, true, false, T0 + 60100));
    EXPECT_INT(b.state, PW_BREAKER_CLOSED);
    return b;
}

static void expect_counts(const pw_breaker *b, int64_t now_ms, uint32_t calls_expected,
                          uint32_t failures_expected)
{
    uint32_t count, failures;
    pw_breaker_count(b, &usual, now_ms, &count, &failures);
    EXPECT_INT(count, calls_expected);
    EXPECT_INT(failures, failures_expected);
}

/* ---- opening */

TEST(breaker, the_defaults_are_those_of_the_requirements)
{
    EXPECT_INT(pw_breaker_default.failures, 5);
    EXPECT_INT(pw_breaker_default.throughput, 10);
    EXPECT_INT(pw_breaker_default.window_ms, 30000);
    EXPECT_INT(pw_breaker_default.break_ms, 60000);
}

TEST(breaker, names_are_what_is_stored)
{
    EXPECT_TEXT(pw_breaker_state_name(PW_BREAKER_CLOSED), "closed");
    EXPECT_TEXT(pw_breaker_state_name(PW_BREAKER_OPEN), "open");
    EXPECT_TEXT(pw_breaker_state_name(PW_BREAKER_HALF_OPEN), "half-open");
    EXPECT_TEXT(pw_breaker_force_name(PW_BREAKER_AUTO), "auto");
    EXPECT_TEXT(pw_breaker_force_name(PW_BREAKER_FORCED_OPEN), "open");
    EXPECT_TEXT(pw_breaker_force_name(PW_BREAKER_FORCED_CLOSED), "closed");
    pw_breaker_state state;
    pw_breaker_force force;
    EXPECT(pw_breaker_state_parse(&state, PW_LIT("half-open")) && state == PW_BREAKER_HALF_OPEN);
    EXPECT(pw_breaker_force_parse(&force, PW_LIT("auto")) && force == PW_BREAKER_AUTO);
    EXPECT(!pw_breaker_state_parse(&state, PW_LIT("ajar")));
    EXPECT(!pw_breaker_force_parse(&force, PW_LIT("half-open")));
}

TEST(breaker, below_the_minimum_throughput_it_never_opens)
{
    pw_breaker b = { 0 };
    EXPECT_INT(calls(&b, 9, true, T0), 0);
    EXPECT_INT(pw_breaker_ask(&b, 100, T0 + 9), PW_PASS_YES);
    EXPECT(pw_breaker_ended(&b, &usual, false, true, T0 + 9)); /* the tenth */
    EXPECT_INT(b.state, PW_BREAKER_OPEN);
}

TEST(breaker, it_opens_at_the_failure_threshold_and_not_before)
{
    pw_breaker b = { 0 };
    EXPECT_INT(calls(&b, 50, false, T0), 0);
    EXPECT_INT(calls(&b, 4, true, T0 + 50), 0);
    EXPECT_INT(b.state, PW_BREAKER_CLOSED);
    EXPECT_INT(calls(&b, 1, true, T0 + 54), 1);
    EXPECT_INT(b.state, PW_BREAKER_OPEN);
}

TEST(breaker, a_success_never_opens_it_even_if_it_completes_the_throughput)
{
    pw_breaker b = { 0 };
    EXPECT_INT(calls(&b, 9, true, T0), 0);
    EXPECT_INT(calls(&b, 1, false, T0 + 9), 0);
    EXPECT_INT(b.state, PW_BREAKER_CLOSED);
    EXPECT_INT(calls(&b, 1, true, T0 + 10), 1);
}

TEST(breaker, what_is_older_than_the_window_does_not_count)
{
    pw_breaker b = { 0 };
    EXPECT_INT(calls(&b, 9, true, T0), 0);
    expect_counts(&b, T0 + 29999, 9, 9);
    expect_counts(&b, T0 + 30000, 0, 0);
    EXPECT_INT(calls(&b, 9, true, T0 + 30009), 0);
    EXPECT_INT(b.state, PW_BREAKER_CLOSED);
}

TEST(breaker, slow_failures_open_it_if_enough_of_them_fall_into_one_window)
{
    pw_breaker b = { 0 };
    for (int i = 0; i < 9; i++)
        EXPECT(!pw_breaker_ended(&b, &usual, false, true, T0 + 2900 * i));
    EXPECT(pw_breaker_ended(&b, &usual, false, true, T0 + 2900 * 9));
}

TEST(breaker, calls_of_one_service_with_a_short_and_a_long_window_do_not_make_each_other_forget)
{
    pw_breaker_settings quick = { 5, 10, 100, 60000 };
    pw_breaker b = { 0 };
    for (int i = 0; i < 4;
         i++) { /* a failure of a usual call each 7 s, and quick successes between */
        EXPECT(!pw_breaker_ended(&b, &usual, false, true, T0 + 7000 * i));
        for (int j = 1; j < 100; j++)
            EXPECT(!pw_breaker_ended(&b, &quick, false, false, T0 + 7000 * i + 50 * j));
    }
    EXPECT(pw_breaker_ended(&b, &usual, false, true, T0 + 28000));
}

TEST(breaker, counts_saturate)
{
    pw_breaker b = { 0 };
    b.window_ms = 30000;
    for (size_t i = 0; i < 2; i++) {
        b.slices[i].from_ms = T0;
        b.slices[i].calls = b.slices[i].failures = UINT32_MAX;
    }
    expect_counts(&b, T0 + 1, UINT32_MAX, UINT32_MAX);
    EXPECT(pw_breaker_ended(&b, &usual, false, true, T0 + 1));
}

/* ---- open and half-open */

TEST(breaker, an_open_breaker_lets_nothing_pass_until_its_time)
{
    pw_breaker b = opened();
    for (int64_t now_ms = T0 + 9; now_ms < T0 + 60009; now_ms += 50) {
        EXPECT_INT(pw_breaker_ask(&b, 0, now_ms), PW_PASS_NO);
        EXPECT_INT(pw_breaker_next(&b, now_ms), T0 + 60009);
    }
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 60008), PW_PASS_NO);
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 60009), PW_PASS_PROBE);
    EXPECT_INT(pw_breaker_next(&b, T0 + 60009), T0 + 60009);
}

TEST(breaker, a_refusal_is_no_call_and_counts_nowhere)
{
    pw_breaker b = opened(), before = b;
    for (int i = 0; i < 1000; i++)
        EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 10 + i), PW_PASS_NO);
    EXPECT(memcmp(&b, &before, sizeof b) == 0);
    expect_counts(&b, T0 + 1010, 0, 0);
}

TEST(breaker, while_a_probe_is_under_way_nothing_else_passes)
{
    pw_breaker b = probing();
    EXPECT_INT(b.state, PW_BREAKER_HALF_OPEN);
    EXPECT_INT(pw_breaker_ask(&b, 1, T0 + 60009), PW_PASS_NO);
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 600000), PW_PASS_NO);
    EXPECT_INT(pw_breaker_next(&b, T0 + 60010), INT64_MAX); /* when it ends */
}

TEST(breaker, a_probe_that_fails_opens_it_for_another_whole_break)
{
    pw_breaker b = probing();
    EXPECT(pw_breaker_ended(&b, &usual, true, true, T0 + 61000));
    EXPECT_INT(b.state, PW_BREAKER_OPEN);
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 120999), PW_PASS_NO);
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 121000), PW_PASS_PROBE);
}

TEST(breaker, a_probe_that_succeeds_closes_it_and_the_window_begins_anew)
{
    pw_breaker b = closed_again();
    expect_counts(&b, T0 + 60100, 0, 0);
    EXPECT_INT(calls(&b, 9, true, T0 + 60101), 0);
    EXPECT_INT(calls(&b, 1, true, T0 + 60110), 1);
}

TEST(breaker, a_probe_that_was_cancelled_makes_room_for_the_next)
{
    pw_breaker b = probing();
    pw_breaker_probe_lost(&b, T0 + 60500);
    EXPECT_INT(b.state, PW_BREAKER_HALF_OPEN);
    EXPECT_INT(pw_breaker_next(&b, T0 + 60500), T0 + 60500);
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 60500), PW_PASS_PROBE);
}

TEST(breaker, a_lost_probe_does_not_shorten_what_another_process_opened)
{
    pw_breaker b = probing();
    pw_breaker_record record = { .state = PW_BREAKER_OPEN,
                                 .open_until_ms = T0 + 120400,
                                 .changed_ms = T0 + 60400 };
    pw_breaker_take(&b, &record, T0 + 60401);
    pw_breaker_probe_lost(&b, T0 + 60500);
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 60500), PW_PASS_NO);
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 120400), PW_PASS_PROBE);
}

TEST(breaker, what_was_sent_before_it_opened_changes_nothing_when_it_ends)
{
    pw_breaker b = opened(), before = b;
    EXPECT_INT(calls(&b, 20, true, T0 + 100), 0);
    EXPECT_INT(calls(&b, 20, false, T0 + 100), 0);
    EXPECT(memcmp(&b, &before, sizeof b) == 0);
    b = before = probing();
    EXPECT_INT(calls(&b, 20, true, T0 + 60010), 0);
    EXPECT_INT(calls(&b, 20, false, T0 + 60010), 0);
    EXPECT(memcmp(&b, &before, sizeof b) == 0);
}

TEST(breaker, a_break_longer_than_time_itself_saturates)
{
    pw_breaker_settings forever = { 1, 1, 30000, UINT64_MAX };
    pw_breaker b = { 0 };
    EXPECT(pw_breaker_ended(&b, &forever, false, true, T0));
    EXPECT_INT(b.open_until_ms, INT64_MAX);
    EXPECT_INT(pw_breaker_ask(&b, 0, INT64_MAX - 1), PW_PASS_NO);
}

/* ---- the ramp */

TEST(breaker, what_waited_is_released_at_a_ramp_of_successes)
{
    pw_breaker b = closed_again();
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 60100), PW_PASS_YES);
    EXPECT_INT(pw_breaker_ask(&b, 1, T0 + 60100), PW_PASS_NO);
    EXPECT_INT(pw_breaker_next(&b, T0 + 60100), INT64_MAX); /* when a call ends */
    calls(&b, 1, false, T0 + 60101);
    EXPECT_INT(pw_breaker_ask(&b, 1, T0 + 60102), PW_PASS_YES);
    EXPECT_INT(pw_breaker_ask(&b, 2, T0 + 60102), PW_PASS_NO);
    calls(&b, 1, true, T0 + 60103); /* a failure gives none, and takes none */
    EXPECT_INT(pw_breaker_ask(&b, 1, T0 + 60104), PW_PASS_YES);
    EXPECT_INT(pw_breaker_ask(&b, 2, T0 + 60104), PW_PASS_NO);
}

TEST(breaker, the_ramp_ends_after_64_successes)
{
    pw_breaker b = closed_again();
    calls(&b, 63, false, T0 + 60101);
    EXPECT_INT(pw_breaker_ask(&b, 63, T0 + 60200), PW_PASS_YES);
    EXPECT_INT(pw_breaker_ask(&b, 64, T0 + 60200), PW_PASS_NO);
    calls(&b, 1, false, T0 + 60200);
    EXPECT_INT(pw_breaker_ask(&b, 1000000, T0 + 60201), PW_PASS_YES);
    calls(&b, 200, false, T0 + 60300);
    EXPECT_INT(pw_breaker_ask(&b, 1000000, T0 + 60600), PW_PASS_YES);
}

TEST(breaker, a_breaker_that_never_opened_has_no_ramp)
{
    pw_breaker b = { 0 };
    EXPECT_INT(pw_breaker_ask(&b, 1000000, T0), PW_PASS_YES);
    calls(&b, 3, false, T0);
    EXPECT_INT(pw_breaker_ask(&b, 1000000, T0 + 3), PW_PASS_YES);
}

/* ---- forced */

TEST(breaker, forced_open_lets_nothing_pass_whatever_ends)
{
    pw_breaker b = { 0 };
    pw_breaker_record record = { .forced = PW_BREAKER_FORCED_OPEN,
                                 .open_until_ms = -1,
                                 .probe_until_ms = -1 };
    pw_breaker_take(&b, &record, T0);
    EXPECT_INT(calls(&b, 100, false, T0), 0);
    EXPECT_INT(calls(&b, 100, true, T0), 0);
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 1000), PW_PASS_NO);
    EXPECT_INT(pw_breaker_ask(&b, 0, INT64_MAX), PW_PASS_NO);
    EXPECT_INT(pw_breaker_next(&b, T0), INT64_MAX);
}

TEST(breaker, forced_closed_lets_all_pass_and_never_opens)
{
    pw_breaker b = opened();
    pw_breaker_record record = { .forced = PW_BREAKER_FORCED_CLOSED,
                                 .open_until_ms = -1,
                                 .probe_until_ms = -1 };
    pw_breaker_take(&b, &record, T0 + 10);
    EXPECT_INT(pw_breaker_ask(&b, 1000, T0 + 10), PW_PASS_YES);
    EXPECT_INT(calls(&b, 100, true, T0 + 10), 0);
    EXPECT_INT(pw_breaker_ask(&b, 1000, T0 + 200), PW_PASS_YES);
    expect_counts(&b, T0 + 200, 100, 100); /* people see it */
}

TEST(breaker, forced_closed_goes_before_the_state)
{
    pw_breaker b = { 0 };
    pw_breaker_record record = { .state = PW_BREAKER_OPEN,
                                 .forced = PW_BREAKER_FORCED_CLOSED,
                                 .open_until_ms = T0 + 60000,
                                 .probe_until_ms = -1,
                                 .changed_ms = T0 };
    pw_breaker_take(&b, &record, T0);
    EXPECT_INT(pw_breaker_ask(&b, 1000, T0 + 1), PW_PASS_YES);
    EXPECT_INT(pw_breaker_next(&b, T0 + 1), INT64_MAX);
    record.forced = PW_BREAKER_AUTO;
    pw_breaker_take(&b, &record, T0 + 2);
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 2), PW_PASS_NO);
}

TEST(breaker, forced_closed_after_forced_open_has_no_ramp)
{
    pw_breaker b = { 0 };
    pw_breaker_record record = { .forced = PW_BREAKER_FORCED_OPEN,
                                 .open_until_ms = -1,
                                 .probe_until_ms = -1 };
    pw_breaker_take(&b, &record, T0);
    record.forced = PW_BREAKER_FORCED_CLOSED;
    pw_breaker_take(&b, &record, T0 + 1);
    EXPECT_INT(pw_breaker_ask(&b, 1000, T0 + 1), PW_PASS_YES);
    record.forced = PW_BREAKER_AUTO;
    pw_breaker_take(&b, &record, T0 + 2);
    EXPECT_INT(pw_breaker_ask(&b, 1000, T0 + 2), PW_PASS_YES);
}

TEST(breaker, back_to_auto_it_is_closed_with_a_ramp_and_an_empty_window)
{
    pw_breaker b = { 0 };
    calls(&b, 9, true, T0);
    pw_breaker_record record = { .forced = PW_BREAKER_FORCED_OPEN,
                                 .open_until_ms = -1,
                                 .probe_until_ms = -1 };
    pw_breaker_take(&b, &record, T0 + 10);
    record.forced = PW_BREAKER_AUTO;
    pw_breaker_take(&b, &record, T0 + 20);
    expect_counts(&b, T0 + 20, 0, 0);
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 20), PW_PASS_YES);
    EXPECT_INT(pw_breaker_ask(&b, 1, T0 + 20), PW_PASS_NO);
    EXPECT_INT(calls(&b, 9, true, T0 + 21), 0);
    EXPECT_INT(calls(&b, 1, true, T0 + 30), 1);
}

TEST(breaker, failures_under_a_forced_closed_one_are_forgotten_when_it_is_auto_again)
{
    pw_breaker b = { 0 };
    pw_breaker_record record = { .forced = PW_BREAKER_FORCED_CLOSED,
                                 .open_until_ms = -1,
                                 .probe_until_ms = -1 };
    pw_breaker_take(&b, &record, T0);
    calls(&b, 50, true, T0);
    record.forced = PW_BREAKER_AUTO;
    pw_breaker_take(&b, &record, T0 + 60);
    EXPECT_INT(calls(&b, 9, true, T0 + 61), 0);
}

/* ---- what another process did */

TEST(breaker, an_open_record_holds_here_too)
{
    pw_breaker b = { 0 };
    pw_breaker_record record = { .state = PW_BREAKER_OPEN,
                                 .open_until_ms = T0 + 60000,
                                 .probe_until_ms = -1,
                                 .changed_ms = T0 };
    pw_breaker_take(&b, &record, T0 + 1);
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 59999), PW_PASS_NO);
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 60000), PW_PASS_PROBE);
}

TEST(breaker, while_another_process_sends_the_probe_we_wait_for_its_lease)
{
    pw_breaker b = opened();
    pw_breaker_record record = { .state = PW_BREAKER_HALF_OPEN,
                                 .open_until_ms = -1,
                                 .probe_until_ms = T0 + 180009,
                                 .changed_ms = T0 + 60009 };
    pw_breaker_take(&b, &record, T0 + 60010);
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 180008), PW_PASS_NO);
    EXPECT_INT(pw_breaker_next(&b, T0 + 60010), T0 + 180009);
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 180009), PW_PASS_PROBE);
}

TEST(breaker, when_another_process_closes_it_our_waiters_come_at_a_ramp)
{
    pw_breaker b = opened();
    pw_breaker_record record = { .state = PW_BREAKER_CLOSED,
                                 .open_until_ms = -1,
                                 .probe_until_ms = -1 };
    pw_breaker_take(&b, &record, T0 + 61000);
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 61000), PW_PASS_YES);
    EXPECT_INT(pw_breaker_ask(&b, 1, T0 + 61000), PW_PASS_NO);
    calls(&b, 5, false, T0 + 61001);
    pw_breaker_take(&b, &record, T0 + 61010); /* told again: the ramp goes on */
    EXPECT_INT(pw_breaker_ask(&b, 5, T0 + 61010), PW_PASS_YES);
    EXPECT_INT(pw_breaker_ask(&b, 6, T0 + 61010), PW_PASS_NO);
}

TEST(breaker, a_closed_record_told_to_a_closed_breaker_changes_nothing)
{
    pw_breaker b = { 0 };
    calls(&b, 9, true, T0);
    pw_breaker before = b;
    pw_breaker_record record = { .state = PW_BREAKER_CLOSED,
                                 .open_until_ms = -1,
                                 .probe_until_ms = -1 };
    pw_breaker_take(&b, &record, T0 + 10);
    EXPECT(memcmp(&b, &before, sizeof b) == 0);
}

TEST(breaker, our_probe_is_still_the_one_after_its_record_is_told_to_us)
{
    pw_breaker b = probing();
    pw_breaker_record record = { .state = PW_BREAKER_HALF_OPEN,
                                 .open_until_ms = -1,
                                 .probe_until_ms = T0 + 180009,
                                 .changed_ms = T0 + 60009 };
    pw_breaker_take(&b, &record, T0 + 60010);
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 + 200000), PW_PASS_NO);
    EXPECT(pw_breaker_ended(&b, &usual, true, false, T0 + 200001));
    EXPECT_INT(b.state, PW_BREAKER_CLOSED);
}

TEST(breaker, a_probe_that_ends_after_the_breaker_was_closed_is_a_call_like_any_other)
{
    pw_breaker b = probing();
    pw_breaker_record record = { .state = PW_BREAKER_CLOSED,
                                 .open_until_ms = -1,
                                 .probe_until_ms = -1 };
    pw_breaker_take(&b, &record, T0 + 60020);
    EXPECT(!pw_breaker_ended(&b, &usual, true, true, T0 + 60030));
    EXPECT_INT(b.state, PW_BREAKER_CLOSED);
    expect_counts(&b, T0 + 60030, 1, 1);
    EXPECT(!b.probing);
}

/* ---- clocks that jump */

TEST(breaker, a_clock_that_jumps_back_while_it_is_open_makes_nobody_wait_for_ever)
{
    pw_breaker b = opened();
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 - 86400000), PW_PASS_PROBE);
    EXPECT_INT(pw_breaker_next(&b, T0 - 86400000), T0 - 86400000);
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 - 59000), PW_PASS_NO); /* as long again at most */
    EXPECT_INT(pw_breaker_ask(&b, 0, T0 - 60009), PW_PASS_PROBE);
}

TEST(breaker, calls_of_the_future_do_not_count_after_the_clock_jumped_back)
{
    pw_breaker b = { 0 };
    calls(&b, 9, true, T0);
    expect_counts(&b, T0 - 1, 0, 0);
    EXPECT(!pw_breaker_ended(&b, &usual, false, true, T0 - 3600000));
    EXPECT_INT(b.state, PW_BREAKER_CLOSED);
    expect_counts(&b, T0 - 3600000, 1, 1);
    EXPECT_INT(calls(&b, 8, true, T0 - 3500000),
               0); /* a new window: the slice of the future is no more */
}

/* ---- every history */

#define HISTORY 4000

typedef struct model { /* remembers every call since the breaker was last closed */
    int64_t at_ms[HISTORY];
    bool failed[HISTORY];
    unsigned count;
} model;

static void model_count(const model *m, int64_t now_ms, uint64_t window_ms, uint32_t *count,
                        uint32_t *failures)
{
    *count = *failures = 0;
    for (unsigned i = 0; i < m->count; i++)
        if (now_ms - m->at_ms[i] < (int64_t)window_ms) {
            ++*count;
            *failures += m->failed[i];
        }
}

/* One breaker through `HISTORY` events. How often it opened. */
static unsigned live_through(uint64_t *seed)
{
    static model m;
    m.count = 0;
    uint64_t r = pw_seed_next(seed);
    pw_breaker_settings s = { 1 + (uint32_t)(r % 6), 1 + (uint32_t)(r >> 8) % 12,
                              10 + (r >> 16) % 5000, 1 + (r >> 32) % 3000 };
    unsigned failing = (unsigned)(r >> 60) * 7; /* in 100 */
    pw_breaker b = { 0 };
    int64_t now_ms = T0, open_until_ms = 0;
    unsigned opens = 0, active = 0, successes = 0;
    bool probe = false, limited = false;
    for (unsigned i = 0; i < HISTORY; i++) {
        r = pw_seed_next(seed);
        now_ms += (int64_t)(r % 8 < 6 ? r % 40 : r % (s.window_ms + s.break_ms));
        bool end = active > 0 && (r >> 32) % 2 == 0, failed = (r >> 40) % 100 < failing;
        if (!end) {
            pw_pass pass = pw_breaker_ask(&b, active, now_ms);
            switch (b.state) {
            case PW_BREAKER_CLOSED: /* the ramp */
                EXPECT_INT(pass, !limited || active <= successes || successes >= 64 ? PW_PASS_YES
                                                                                    : PW_PASS_NO);
                break;
            case PW_BREAKER_OPEN:
                EXPECT_INT(pass, now_ms >= open_until_ms ? PW_PASS_PROBE : PW_PASS_NO);
                break;
            case PW_BREAKER_HALF_OPEN:
                EXPECT(probe);
                EXPECT_INT(pass, PW_PASS_NO);
                break;
            }
            if (pass == PW_PASS_PROBE) {
                EXPECT(!probe);
                probe = true;
                pw_breaker_probe(&b);
            } else if (pass == PW_PASS_YES) {
                active++;
            } else if (probe && (r >> 50) % 4 == 0) { /* it ends */
                EXPECT(pw_breaker_ended(&b, &s, true, failed, now_ms));
                EXPECT_INT(b.state, failed ? PW_BREAKER_OPEN : PW_BREAKER_CLOSED);
                probe = false, limited = true, successes = 0, m.count = 0;
                open_until_ms = now_ms + (int64_t)s.break_ms;
            }
            continue;
        }
        active--;
        if (b.state != PW_BREAKER_CLOSED) {
            EXPECT(!pw_breaker_ended(&b, &s, false, failed, now_ms));
            continue;
        }
        m.at_ms[m.count] = now_ms;
        m.failed[m.count++] = failed;
        successes += !failed;
        uint32_t calls_most, failures_most, calls_least, failures_least;
        model_count(&m, now_ms, s.window_ms, &calls_most, &failures_most);
        model_count(&m, now_ms, s.window_ms - s.window_ms / PW_BREAKER_SLICES, &calls_least,
                    &failures_least);
        bool may = failed && calls_most >= s.throughput && failures_most >= s.failures;
        bool must = failed && calls_least >= s.throughput && failures_least >= s.failures;
        bool changed = pw_breaker_ended(&b, &s, false, failed, now_ms);
        if (changed) {
            EXPECT(may);
            EXPECT_INT(b.state, PW_BREAKER_OPEN);
            open_until_ms = now_ms + (int64_t)s.break_ms;
            opens++;
        } else {
            EXPECT(!must);
            EXPECT_INT(b.state, PW_BREAKER_CLOSED);
            uint32_t count, failures;
            pw_breaker_count(&b, &s, now_ms, &count, &failures);
            EXPECT(count <= calls_most && count >= calls_least);
            EXPECT(failures <= failures_most && failures >= failures_least);
        }
    }
    return opens;
}

TEST(breaker, in_every_history_it_does_what_a_model_with_all_calls_does)
{
    uint64_t seed = 20261123;
    unsigned opens = 0;
    for (int i = 0; i < 300; i++)
        opens += live_through(&seed);
    EXPECT(opens > 3000); /* else the histories say little */
}

TEST(breaker, in_every_history_a_jumping_clock_leaves_it_usable)
{
    uint64_t seed = 7;
    for (int i = 0; i < 2000; i++) {
        pw_breaker b = { 0 };
        for (int j = 0; j < 100; j++) {
            uint64_t r = pw_seed_next(&seed);
            int64_t now_ms = r % 3 == 0 ? (int64_t)(r >> 1) : T0 + (int64_t)(r >> 44) - 500000;
            if (r % 5 == 0)
                now_ms = -now_ms;
            if (pw_breaker_ask(&b, 0, now_ms) == PW_PASS_PROBE) {
                EXPECT(!b.probing);
                pw_breaker_probe(&b);
                pw_breaker_ended(&b, &usual, true, r % 2, now_ms);
            } else {
                pw_breaker_ended(&b, &usual, false, r % 7, now_ms);
            }
            int64_t next_ms = pw_breaker_next(&b, now_ms);
            if (b.state == PW_BREAKER_OPEN) /* a clock that goes on from here finds the probe in two
                                               breaks at most */
                EXPECT(next_ms >= now_ms && (next_ms == INT64_MAX || next_ms - now_ms <= 120001));
            else
                EXPECT_INT(next_ms, INT64_MAX);
        }
    }
}

/* ---- rate */

TEST(rate, one_seconds_worth_goes_at_once_and_then_one_each_interval)
{
    pw_rate rate = { 0 };
    int64_t again_ms;
    for (int i = 0; i < 10; i++)
        EXPECT(pw_rate_take(&rate, 10, T0, &again_ms));
    EXPECT(!pw_rate_take(&rate, 10, T0, &again_ms));
    EXPECT_INT(again_ms, T0 + 100);
    EXPECT(!pw_rate_take(&rate, 10, T0 + 99, &again_ms));
    EXPECT_INT(again_ms, T0 + 100);
    EXPECT(pw_rate_take(&rate, 10, T0 + 100, &again_ms));
    EXPECT(!pw_rate_take(&rate, 10, T0 + 100, &again_ms));
}

TEST(rate, less_than_one_a_second_lets_one_go_at_first)
{
    pw_rate rate = { 0 };
    int64_t again_ms;
    EXPECT(pw_rate_take(&rate, 0.25, T0, &again_ms));
    EXPECT(!pw_rate_take(&rate, 0.25, T0 + 1000, &again_ms));
    EXPECT_INT(again_ms, T0 + 4000);
    EXPECT(pw_rate_take(&rate, 0.25, T0 + 4000, &again_ms));
    EXPECT(!pw_rate_take(&rate, 0.25, T0 + 4001, &again_ms));
}

TEST(rate, without_a_rate_all_go)
{
    pw_rate rate = { 0 };
    int64_t again_ms;
    for (int i = 0; i < 100000; i++)
        EXPECT(pw_rate_take(&rate, 0, T0, &again_ms));
    EXPECT(pw_rate_take(&rate, -1, T0, &again_ms));
    EXPECT(pw_rate_take(&rate, HUGE_VAL, T0, &again_ms));
    EXPECT_INT(again_ms, T0);
}

TEST(rate, a_rate_near_nothing_does_not_overflow)
{
    pw_rate rate = { 0 };
    int64_t again_ms;
    EXPECT(pw_rate_take(&rate, 1e-300, T0, &again_ms));
    EXPECT(!pw_rate_take(&rate, 1e-300, T0, &again_ms));
    EXPECT_INT(again_ms, T0 + INT64_C(1000000000000000));
    EXPECT(!pw_rate_take(&rate, 1e-300, INT64_MAX, &again_ms));
    EXPECT_INT(again_ms, INT64_MAX);
}

TEST(rate, a_clock_that_jumps_back_gains_nothing_and_stops_nothing)
{
    pw_rate rate = { 0 };
    int64_t again_ms;
    for (int i = 0; i < 10; i++)
        EXPECT(pw_rate_take(&rate, 10, T0, &again_ms));
    EXPECT(!pw_rate_take(&rate, 10, T0 - 86400000, &again_ms));
    EXPECT_INT(again_ms, T0 - 86400000 + 100);
    EXPECT(pw_rate_take(&rate, 10, T0 - 86400000 + 100, &again_ms));
}

TEST(rate, what_did_not_go_after_all_leaves_its_place_and_no_more_than_one_second_is_ever_saved)
{
    pw_rate rate = { 0 };
    int64_t again_ms;
    EXPECT(pw_rate_take(&rate, 1, T0, &again_ms));
    EXPECT_INT(pw_rate_next(&rate, 1, T0), T0 + 1000);
    pw_rate_give_back(&rate);
    EXPECT_INT(pw_rate_next(&rate, 1, T0), T0);
    for (int i = 0; i < 5; i++)
        pw_rate_give_back(&rate);
    EXPECT(pw_rate_take(&rate, 1, T0, &again_ms));
    EXPECT(!pw_rate_take(&rate, 1, T0, &again_ms));
    EXPECT_INT(pw_rate_next(&rate, 1, T0 + 86400000), T0 + 86400000);
    EXPECT(pw_rate_take(&rate, 1, T0 + 86400000, &again_ms));
    EXPECT(!pw_rate_take(&rate, 1, T0 + 86400000, &again_ms));
}

TEST(rate, to_ask_takes_nothing)
{
    pw_rate rate = { 0 };
    int64_t again_ms;
    for (int i = 0; i < 100; i++)
        EXPECT_INT(pw_rate_next(&rate, 2, T0), T0);
    EXPECT(pw_rate_take(&rate, 2, T0, &again_ms));
    EXPECT(pw_rate_take(&rate, 2, T0, &again_ms));
    for (int i = 0; i < 100; i++)
        EXPECT_INT(pw_rate_next(&rate, 2, T0), T0 + 500);
}

TEST(rate, in_every_history_no_more_go_than_the_rate_says_and_the_promised_instant_holds)
{
    uint64_t seed = 99;
    for (int i = 0; i < 500; i++) {
        uint64_t r = pw_seed_next(&seed);
        double per_second = (double)(1 + r % 2000) / (double)(1 + (r >> 32) % 50);
        double burst = per_second > 1 ? per_second : 1;
        pw_rate rate = { 0 };
        int64_t now_ms = T0, again_ms;
        uint64_t gone = 0;
        for (int j = 0; j < 1000; j++) {
            r = pw_seed_next(&seed);
            now_ms += (int64_t)(r % 16);
            if (pw_rate_take(&rate, per_second, now_ms, &again_ms)) {
                EXPECT_INT(again_ms, now_ms);
                gone++;
                EXPECT((double)gone <= burst + (double)(now_ms - T0) * per_second / 1000 + 0.001);
                continue;
            }
            EXPECT(again_ms > now_ms);
            pw_rate at_it = rate, before_it = rate;
            int64_t unused;
            EXPECT(pw_rate_take(&at_it, per_second, again_ms, &unused));
            if (again_ms - 1 > now_ms)
                EXPECT(!pw_rate_take(&before_it, per_second, again_ms - 1, &unused));
        }
    }
}
