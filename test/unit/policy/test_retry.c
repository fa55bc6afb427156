/* Delays before retries: a table of exact values, and properties that hold for every seed. */
#include "test.h"
#include "policy/retry.h"

typedef struct delay_case {
    const char *name;
    pw_retry_settings settings;
    uint32_t retries;   /* made before */
    int64_t elapsed_ms; /* since the first attempt began */
    bool again;
    uint64_t delay_ms;
} delay_case;

#define CONSTANT PW_BACKOFF_CONSTANT
#define LINEAR PW_BACKOFF_LINEAR
#define EXPONENTIAL PW_BACKOFF_EXPONENTIAL
#define NO_LIMIT PW_RETRY_UNLIMITED

/* clang-format off */
static const delay_case delay_cases[] = {
    { "constant, first",           { .backoff = CONSTANT, .delay_ms = 100, .count = 3 }, 0, 0, true, 100 },
    { "constant, third",           { .backoff = CONSTANT, .delay_ms = 100, .count = 3 }, 2, 0, true, 100 },
    { "count used up",             { .backoff = CONSTANT, .delay_ms = 100, .count = 3 }, 3, 0, false, 0 },
    { "count passed",              { .backoff = CONSTANT, .delay_ms = 100, .count = 3 }, 4, 0, false, 0 },
    { "count 0 never retries",     { .backoff = CONSTANT, .delay_ms = 100, .count = 0 }, 0, 0, false, 0 },
    { "no delay",                  { .backoff = EXPONENTIAL, .count = 3 }, 2, 0, true, 0 },
    { "linear, first",             { .backoff = LINEAR, .delay_ms = 100, .count = NO_LIMIT }, 0, 0, true, 100 },
    { "linear, second",            { .backoff = LINEAR, .delay_ms = 100, .count = NO_LIMIT }, 1, 0, true, 200 },
    { "linear, tenth",             { .backoff = LINEAR, .delay_ms = 100, .count = NO_LIMIT }, 9, 0, true, 1000 },
    { "linear saturates",          { .backoff = LINEAR, .delay_ms = UINT64_MAX / 2, .count = NO_LIMIT }, 7, 0, true, UINT64_MAX },
    { "exponential, first",        { .backoff = EXPONENTIAL, .delay_ms = 1000, .count = NO_LIMIT }, 0, 0, true, 1000 },
    { "exponential, second",       { .backoff = EXPONENTIAL, .delay_ms = 1000, .count = NO_LIMIT }, 1, 0, true, 2000 },
    { "exponential, fifth",        { .backoff = EXPONENTIAL, .delay_ms = 1000, .count = NO_LIMIT }, 4, 0, true, 16000 },
    { "factor 1.5, third",         { .backoff = EXPONENTIAL, .delay_ms = 1000, .factor = 1.5, .count = NO_LIMIT }, 2, 0, true, 2250 },
    { "factor 10, fourth",         { .backoff = EXPONENTIAL, .delay_ms = 5, .factor = 10, .count = NO_LIMIT }, 3, 0, true, 5000 },
    { "factor 1 stays",            { .backoff = EXPONENTIAL, .delay_ms = 700, .factor = 1, .count = NO_LIMIT }, 4000000000u, 0, true, 700 },
    { "exponential saturates",     { .backoff = EXPONENTIAL, .delay_ms = 1000, .count = NO_LIMIT }, 4000000000u, 0, true, UINT64_MAX },
    { "the last retry number",     { .backoff = EXPONENTIAL, .delay_ms = 1, .count = NO_LIMIT }, UINT32_MAX, 0, true, UINT64_MAX },
    { "cap not reached",           { .backoff = EXPONENTIAL, .delay_ms = 1000, .delay_ms_max = 4000, .count = 9 }, 2, 0, true, 4000 },
    { "cap",                       { .backoff = EXPONENTIAL, .delay_ms = 1000, .delay_ms_max = 4000, .count = 9 }, 3, 0, true, 4000 },
    { "cap of a saturated delay",  { .backoff = EXPONENTIAL, .delay_ms = 1000, .delay_ms_max = 60000, .count = NO_LIMIT }, 90000, 0, true, 60000 },
    { "fixed jitter is added",     { .backoff = CONSTANT, .delay_ms = 100, .jitter_ms_from = 7, .jitter_ms_to = 7, .count = 1 }, 0, 0, true, 107 },
    { "jitter the wrong way round",{ .backoff = CONSTANT, .delay_ms = 100, .jitter_ms_from = 9, .jitter_ms_to = 3, .count = 1 }, 0, 0, true, 109 },
    { "jitter is under the cap",   { .backoff = CONSTANT, .delay_ms = 100, .delay_ms_max = 105, .jitter_ms_from = 50, .jitter_ms_to = 50, .count = 1 }, 0, 0, true, 105 },
    { "jitter saturates",          { .backoff = CONSTANT, .delay_ms = UINT64_MAX - 5, .jitter_ms_from = 50, .jitter_ms_to = 50, .count = 1 }, 0, 0, true, UINT64_MAX },
    { "time left",                 { .backoff = CONSTANT, .delay_ms = 100, .total_ms = 1000, .count = NO_LIMIT }, 5, 899, true, 100 },
    { "would begin at the limit",  { .backoff = CONSTANT, .delay_ms = 100, .total_ms = 1000, .count = NO_LIMIT }, 5, 900, false, 0 },
    { "time used up",              { .backoff = CONSTANT, .delay_ms = 0, .total_ms = 1000, .count = NO_LIMIT }, 5, 1000, false, 0 },
    { "no time limit",             { .backoff = CONSTANT, .delay_ms = 100, .count = NO_LIMIT }, 5, INT64_MAX / 2, true, 100 },
    { "a clock that went back",    { .backoff = CONSTANT, .delay_ms = 100, .total_ms = 1000, .count = NO_LIMIT }, 5, -5000, true, 100 },
    { "a saturated delay and a total", { .backoff = EXPONENTIAL, .delay_ms = 1000, .total_ms = UINT64_MAX, .count = NO_LIMIT }, 90000, 0, false, 0 },
};
/* clang-format on */

TEST(retry, delays_are_as_the_table_says)
{
    for (size_t i = 0; i < PW_LENGTH(delay_cases); i++) {
        const delay_case *c = &delay_cases[i];
        pw_retry_history history = {
            .retries = c->retries, .first_ms = 5000, .now_ms = 5000 + c->elapsed_ms, .seed = 42
        };
        uint64_t delay_ms = 0;
        bool again = pw_retry_next(&delay_ms, &c->settings, &history);
        if (again != c->again || delay_ms != c->delay_ms)
            fail_msg("%s: %s after %llu ms", c->name, again ? "again" : "no more",
                     (unsigned long long)delay_ms);
    }
}

TEST(retry, the_stream_of_seeds_is_splitmix64)
{
    /* the published first outputs for seed 1234567 */
    uint64_t seed = 1234567;
    EXPECT_INT(pw_seed_next(&seed), 6457827717110365317u);
    EXPECT_INT(pw_seed_next(&seed), 3203168211198807973u);
    EXPECT_INT(pw_seed_next(&seed), 9817491932198370423u);
}

TEST(retry, no_delay_exceeds_the_cap_or_leaves_the_range_of_the_jitter)
{
    uint64_t seed = 20261122;
    for (int round = 0; round < 20000; round++) {
        uint64_t a = pw_seed_next(&seed), b = pw_seed_next(&seed), c = pw_seed_next(&seed);
        pw_retry_settings settings = {
            .backoff = (pw_backoff)(a % 3),
            .delay_ms = b >> (c % 64),
            .factor = (double)(a % 500) / 100.0,
            .delay_ms_max = 1 + (c >> (a % 64)),
            .jitter_ms_from = a >> (b % 64),
            .jitter_ms_to = c >> (b % 61),
            .count = PW_RETRY_UNLIMITED,
        };
        pw_retry_history history = { .retries = (uint32_t)(b % 5000), .seed = c };
        uint64_t delay_ms = 0, again_ms = 0;
        EXPECT(pw_retry_next(&delay_ms, &settings, &history));
        EXPECT(delay_ms <= settings.delay_ms_max);
        EXPECT(pw_retry_next(&again_ms, &settings, &history));
        EXPECT(delay_ms == again_ms);
    }
}

TEST(retry, jitter_reaches_both_ends_and_its_middle_is_the_middle)
{
    pw_retry_settings settings = {
        .delay_ms = 1000, .jitter_ms_from = 10, .jitter_ms_to = 19, .count = PW_RETRY_UNLIMITED
    };
    unsigned seen[10] = { 0 };
    for (uint64_t seed = 0; seed < 10000; seed++) {
        pw_retry_history history = { .seed = seed };
        uint64_t delay_ms = 0;
        EXPECT(pw_retry_next(&delay_ms, &settings, &history));
        EXPECT(delay_ms >= 1010 && delay_ms <= 1019);
        seen[delay_ms - 1010]++;
    }
    for (size_t i = 0; i < PW_LENGTH(seen); i++)
        EXPECT(seen[i] > 800 && seen[i] < 1200);
}

TEST(retry, full_jitter_fills_the_range_from_nothing_to_the_delay)
{
    pw_retry_settings settings = { .backoff = EXPONENTIAL,
                                   .delay_ms = 100,
                                   .delay_ms_max = 150,
                                   .count = 9,
                                   .full_jitter = true };
    static const uint64_t most_ms[] = {
        100, 150, 150
    }; /* 100, then 200 under the cap: the cap is spread, too */
    for (uint32_t retries = 0; retries < PW_LENGTH(most_ms); retries++) {
        unsigned seen[151] = { 0 };
        for (uint64_t seed = 0; seed < 30000; seed++) {
            pw_retry_history history = { .retries = retries, .seed = seed };
            uint64_t delay_ms = 0;
            EXPECT(pw_retry_next(&delay_ms, &settings, &history));
            EXPECT(delay_ms <= most_ms[retries]);
            seen[delay_ms]++;
        }
        for (uint64_t i = 0; i <= most_ms[retries]; i++) /* about 200 to 300 each */
            EXPECT(seen[i] > 120 && seen[i] < 400);
    }
}

TEST(retry, full_jitter_spreads_the_added_jitter_as_well)
{
    pw_retry_settings settings = {
        .delay_ms = 100, .jitter_ms_from = 50, .jitter_ms_to = 50, .count = 1, .full_jitter = true
    };
    uint64_t longest_ms = 0;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        uint64_t delay_ms = 0;
        EXPECT(pw_retry_next(&delay_ms, &settings, &(pw_retry_history){ .seed = seed }));
        longest_ms = delay_ms > longest_ms ? delay_ms : longest_ms;
    }
    EXPECT_INT(longest_ms, 150);
}

TEST(retry, the_two_jitters_of_one_delay_are_not_the_same_number)
{
    pw_retry_settings settings = { .jitter_ms_to = 1000, .count = 1, .full_jitter = true };
    unsigned above = 0; /* were they one number x, each delay would be x * x: under a quarter in
                           half of all cases */
    for (uint64_t seed = 0; seed < 4000; seed++) {
        uint64_t delay_ms = 0;
        EXPECT(pw_retry_next(&delay_ms, &settings, &(pw_retry_history){ .seed = seed }));
        above += delay_ms >= 250;
    }
    EXPECT(above > 1500 &&
           above < 1760); /* 1/4 - 1/4 ln 4 below: 1614 above are expected, and 2000 of x * x */
}

TEST(retry, retry_after_is_a_lower_bound_below_the_cap)
{
    static const struct {
        uint64_t after_ms, cap_ms, delay_ms;
    } cases[] = {
        { 0, 0, 100 },
        { 99, 0, 100 },
        { 100, 0, 100 },
        { 101, 0, 101 },
        { 5000, 60000, 5000 },
        { 60000, 60000, 60000 },
        { 60001, 60000, 60000 },
        { UINT64_MAX, 60000, 60000 },
        { UINT64_MAX, 0, UINT64_MAX },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pw_retry_settings settings = { .delay_ms = 100,
                                       .delay_ms_max = cases[i].cap_ms,
                                       .count = 1 };
        uint64_t delay_ms = 0;
        EXPECT(pw_retry_next(&delay_ms, &settings,
                             &(pw_retry_history){ .after_ms = cases[i].after_ms }));
        EXPECT_INT(delay_ms, cases[i].delay_ms);
    }
}

TEST(retry, retry_after_counts_for_the_limit_of_all_attempts)
{
    pw_retry_settings settings = { .delay_ms = 10, .total_ms = 1000, .count = 5 };
    uint64_t delay_ms = 0;
    EXPECT(
        pw_retry_next(&delay_ms, &settings, &(pw_retry_history){ .now_ms = 500, .after_ms = 499 }));
    EXPECT(!pw_retry_next(&delay_ms, &settings,
                          &(pw_retry_history){ .now_ms = 500, .after_ms = 500 }));
}

TEST(retry,
     in_every_history_the_count_is_exact_and_no_delay_is_below_what_was_asked_or_above_the_cap)
{
    uint64_t seed = 20261123;
    for (int round = 0; round < 5000; round++) {
        uint64_t a = pw_seed_next(&seed), b = pw_seed_next(&seed);
        pw_retry_settings settings = { .backoff = (pw_backoff)(a % 3),
                                       .delay_ms = b >> (a % 64),
                                       .factor = (double)(a % 300) / 100.0,
                                       .delay_ms_max = 1 + (a >> (b % 64)),
                                       .jitter_ms_to = b >> 40,
                                       .count = (uint32_t)(a >> 20) % 10,
                                       .full_jitter = (b >> 9) % 2 };
        uint32_t retries = 0;
        for (;; retries++) {
            uint64_t after_ms = (b >> 5) % 2 ? pw_seed_next(&seed) >> (a % 64) : 0, delay_ms = 0;
            pw_retry_history history = { .retries = retries,
                                         .seed = pw_seed_next(&seed),
                                         .after_ms = after_ms };
            if (!pw_retry_next(&delay_ms, &settings, &history))
                break;
            EXPECT(delay_ms <= settings.delay_ms_max);
            EXPECT(delay_ms >= after_ms || delay_ms == settings.delay_ms_max);
        }
        EXPECT_INT(retries, settings.count);
    }
}

TEST(retry, the_widest_jitter_does_not_overflow)
{
    pw_retry_settings settings = { .jitter_ms_to = UINT64_MAX, .count = PW_RETRY_UNLIMITED };
    pw_retry_history history = { .seed = 1234567 };
    uint64_t delay_ms = 0;
    EXPECT(pw_retry_next(&delay_ms, &settings, &history));
    EXPECT(delay_ms == 6457827717110365317u);
}

TEST_MAIN()
