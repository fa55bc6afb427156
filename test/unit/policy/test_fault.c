/* The fault handler: every row of its table, the five fields, and the words for people. */
#include <stdlib.h>
#include "test.h"
#include "policy/fault.h"

#define T0 INT64_C(1700000000000)

typedef struct row {
    const char *name;
    unsigned retries;  /* 0: not even one */
    uint64_t first_ms; /* the longest delay before the first of them */
    pw_fault_then then;
} row;

/* clang-format off */
static const row rows[] = {
    { "startup:argument",               0, 0,    PW_THEN_ERROR },
    { "startup:invalid-state",          0, 0,    PW_THEN_ERROR },
    { "startup:not-authorized",         0, 0,    PW_THEN_ERROR },
    { "startup:not-supported",          0, 0,    PW_THEN_ERROR },
    { "startup:connection",             3, 1000, PW_THEN_ERROR },
    { "startup:timeout",                3, 1000, PW_THEN_ERROR },
    { "startup:throttled",              3, 1000, PW_THEN_ERROR },
    { "startup:server-error",           3, 1000, PW_THEN_ERROR },
    { "startup:client-error",           0, 0,    PW_THEN_ERROR },
    { "startup:malformed-answer",       0, 0,    PW_THEN_ERROR },
    { "startup:forbidden-address",      0, 0,    PW_THEN_ERROR },
    { "startup:circuit-open",           0, 0,    PW_THEN_ERROR },
    { "startup:unknown-outcome",        0, 0,    PW_THEN_ERROR },
    { "startup:store-unavailable",      3, 1000, PW_THEN_ERROR },
    { "startup:attempt-lost",           3, 1000, PW_THEN_ERROR },
    { "startup:business",               0, 0,    PW_THEN_ERROR },
    { "startup:other",                  3, 1000, PW_THEN_ERROR },
    { "activity:argument",              0, 0,    PW_THEN_INCIDENT },
    { "activity:invalid-state",         0, 0,    PW_THEN_INCIDENT },
    { "activity:not-authorized",        0, 0,    PW_THEN_INCIDENT },
    { "activity:not-supported",         0, 0,    PW_THEN_INCIDENT },
    { "activity:connection",            3, 1000, PW_THEN_INCIDENT },
    { "activity:timeout",               3, 1000, PW_THEN_INCIDENT },
    { "activity:throttled",             3, 1000, PW_THEN_INCIDENT },
    { "activity:server-error",          3, 1000, PW_THEN_INCIDENT },
    { "activity:client-error",          3, 1000, PW_THEN_INCIDENT },
    { "activity:malformed-answer",      3, 1000, PW_THEN_INCIDENT },
    { "activity:forbidden-address",     0, 0,    PW_THEN_INCIDENT },
    { "activity:circuit-open",          0, 0,    PW_THEN_INCIDENT },
    { "activity:unknown-outcome",       0, 0,    PW_THEN_INCIDENT },
    { "activity:store-unavailable",     3, 1000, PW_THEN_INCIDENT },
    { "activity:attempt-lost",          3, 0,    PW_THEN_INCIDENT },
    { "activity:business",              0, 0,    PW_THEN_INCIDENT },
    { "activity:other",                 3, 1000, PW_THEN_INCIDENT },
    { "external-call:argument",         0, 0,    PW_THEN_INCIDENT },
    { "external-call:invalid-state",    0, 0,    PW_THEN_INCIDENT },
    { "external-call:not-authorized",   0, 0,    PW_THEN_INCIDENT },
    { "external-call:not-supported",    0, 0,    PW_THEN_INCIDENT },
    { "external-call:connection",       5, 5000, PW_THEN_INCIDENT },
    { "external-call:timeout",          5, 5000, PW_THEN_INCIDENT },
    { "external-call:throttled",        5, 5000, PW_THEN_INCIDENT },
    { "external-call:server-error",     5, 5000, PW_THEN_INCIDENT },
    { "external-call:client-error",     0, 0,    PW_THEN_INCIDENT },
    { "external-call:malformed-answer", 0, 0,    PW_THEN_INCIDENT },
    { "external-call:forbidden-address",0, 0,    PW_THEN_INCIDENT },
    { "external-call:circuit-open",     0, 0,    PW_THEN_INCIDENT },
    { "external-call:unknown-outcome",  0, 0,    PW_THEN_INCIDENT },
    { "external-call:store-unavailable",5, 5000, PW_THEN_INCIDENT },
    { "external-call:attempt-lost",     5, 0,    PW_THEN_INCIDENT },
    { "external-call:business",         0, 0,    PW_THEN_INCIDENT },
    { "external-call:other",            5, 5000, PW_THEN_INCIDENT },
    { "resume:argument",                0, 0,    PW_THEN_ERROR },
    { "resume:invalid-state",           0, 0,    PW_THEN_ERROR },
    { "resume:not-authorized",          0, 0,    PW_THEN_ERROR },
    { "resume:not-supported",           0, 0,    PW_THEN_ERROR },
    { "resume:connection",              3, 1000, PW_THEN_ERROR },
    { "resume:timeout",                 3, 1000, PW_THEN_ERROR },
    { "resume:throttled",               3, 1000, PW_THEN_ERROR },
    { "resume:server-error",            3, 1000, PW_THEN_ERROR },
    { "resume:client-error",            0, 0,    PW_THEN_ERROR },
    { "resume:malformed-answer",        0, 0,    PW_THEN_ERROR },
    { "resume:forbidden-address",       0, 0,    PW_THEN_ERROR },
    { "resume:circuit-open",            0, 0,    PW_THEN_ERROR },
    { "resume:unknown-outcome",         0, 0,    PW_THEN_ERROR },
    { "resume:store-unavailable",       3, 1000, PW_THEN_ERROR },
    { "resume:attempt-lost",            3, 1000, PW_THEN_ERROR },
    { "resume:business",                0, 0,    PW_THEN_ERROR },
    { "resume:other",                   3, 1000, PW_THEN_ERROR },
};
/* clang-format on */

static pw_arena arena;

static pw_fault_result decide(const pw_fault_policy *policy, const pw_fault_facts *facts)
{
    pw_arena_done(&arena);
    pw_arena_init(&arena, 0);
    return pw_fault_decide(policy, facts, &arena);
}

static pw_fault_facts facts_of(const char *name)
{
    const char *colon = strchr(name, ':');
    char kind[40];
    (void)snprintf(kind, sizeof kind, "%.*s-fault", (int)(colon - name), name);
    pw_fault_facts facts = {
        .attempts = 1, .first_ms = T0, .now_ms = T0 + 100, .incidents = 1, .seed = 1
    };
    EXPECT(pw_fault_kind_parse(&facts.kind, pw_str_of(kind)));
    EXPECT(pw_error_class_parse(&facts.class_, pw_str_of(colon + 1)));
    return facts;
}

/* What must be true of every result. */
static void expect_consistent(const pw_fault_result *r)
{
    EXPECT(r->recommended_action.len > 0);
    if (r->should_retry)
        EXPECT(!r->suspend_workflow && !r->requires_manual_intervention);
    else
        EXPECT_INT(r->retry_delay_ms, 0);
    if (r->suspend_workflow)
        EXPECT(r->requires_manual_intervention);
}

/* ---- the table */

TEST(fault, every_row_of_the_table_is_as_it_is_written_here)
{
    EXPECT_INT(PW_LENGTH(rows), PW_FAULT_KIND_COUNT * PW_ERROR_CLASS_COUNT);
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        pw_fault_facts facts = facts_of(rows[i].name);
        EXPECT_INT(facts.kind * PW_ERROR_CLASS_COUNT + facts.class_, i); /* each of them once */
        unsigned retries = 0;
        uint64_t longest_ms = 0;
        for (; retries < 100; retries++, facts.attempts++) {
            pw_fault_result r = decide(&pw_fault_policy_default, &facts);
            expect_consistent(&r);
            if (!r.should_retry)
                break;
        }
        facts.attempts = 1;
        for (facts.seed = 0; facts.seed < 200 && retries > 0; facts.seed++) {
            uint64_t delay_ms = decide(&pw_fault_policy_default, &facts).retry_delay_ms;
            longest_ms = delay_ms > longest_ms ? delay_ms : longest_ms;
        }
        facts.attempts = 100;
        pw_fault_result last = decide(&pw_fault_policy_default, &facts);
        bool waits = rows[i].then != PW_THEN_ERROR;
        if (retries != rows[i].retries || longest_ms > rows[i].first_ms ||
            longest_ms * 10 < rows[i].first_ms * 9 || last.requires_manual_intervention != waits ||
            last.suspend_workflow ||
            pw_fault_policy_default.rules[facts.kind][facts.class_].then != rows[i].then)
            fail_msg("%s: %u retries, the first after up to %llu ms; manual: %d, suspended: %d",
                     rows[i].name, retries, (unsigned long long)longest_ms,
                     last.requires_manual_intervention, last.suspend_workflow);
    }
}

TEST(fault, the_delays_are_1_2_4_s_up_to_30_and_5_10_20_40_60_s_for_calls)
{
    static const struct {
        const char *name;
        unsigned count;
        uint64_t most_ms[8];
    } delays[] = {
        { "startup:timeout", 8, { 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000 } },
        { "activity:other", 8, { 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000 } },
        { "resume:store-unavailable", 8, { 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000 } },
        { "external-call:connection",
          8,
          { 5000, 10000, 20000, 40000, 60000, 60000, 60000, 60000 } },
    };
    for (size_t i = 0; i < PW_LENGTH(delays); i++) {
        pw_fault_policy policy = pw_fault_policy_default;
        pw_fault_facts facts = facts_of(delays[i].name);
        policy.retry[facts.kind].count = 8;
        for (unsigned n = 0; n < delays[i].count; n++) {
            uint64_t longest_ms = 0, shortest_ms = UINT64_MAX;
            facts.attempts = n + 1;
            for (facts.seed = 0; facts.seed < 400; facts.seed++) {
                pw_fault_result r = decide(&policy, &facts);
                EXPECT(r.should_retry);
                longest_ms = r.retry_delay_ms > longest_ms ? r.retry_delay_ms : longest_ms;
                shortest_ms = r.retry_delay_ms < shortest_ms ? r.retry_delay_ms : shortest_ms;
            }
            EXPECT(longest_ms <= delays[i].most_ms[n]);
            EXPECT(longest_ms * 100 > delays[i].most_ms[n] * 97);
            EXPECT(shortest_ms * 100 < delays[i].most_ms[n] * 3);
        }
    }
}

/* The n-th cell of a line of a table, without the blanks around it; 0 is the first. */
static pw_str cell(const char *line, unsigned n)
{
    const char *at = line + 1;
    for (; n > 0; n--)
        at = strchr(at, '|') + 1;
    size_t len = strcspn(at, "|");
    while (len > 0 && *at == ' ')
        at++, len--;
    while (len > 0 && at[len - 1] == ' ')
        len--;
    return (pw_str){ at, len };
}

TEST(fault, the_table_of_the_manual_is_that_of_the_program)
{
    size_t len;
    char *manual = pw_test_read(MANUAL, &len);
    const char *table = strstr(manual, "| class | startup | activity | external-call | resume |");
    EXPECT(table != NULL);
    for (unsigned c = 0; c < PW_ERROR_CLASS_COUNT; c++) {
        char name[40];
        (void)snprintf(name, sizeof name, "`%s`", pw_error_class_name((pw_error_class)c));
        const char *line = strstr(table, name);
        EXPECT(line != NULL);
        while (line[-1] != '\n')
            line--;
        for (unsigned k = 0; k < PW_FAULT_KIND_COUNT; k++) {
            pw_fault_rule rule = pw_fault_policy_default.rules[k][c];
            pw_str said = cell(line, k + 1);
            if (!pw_str_is(said, rule.at_once ? "at once" : rule.retried ? "retry" : "no"))
                fail_msg("%s of %s: the manual says '%.*s'", name,
                         pw_fault_kind_name((pw_fault_kind)k), (int)said.len, said.ptr);
        }
    }
    free(manual);
}

TEST(fault, names_are_what_is_stored)
{
    static const char *const kinds[] = { "startup-fault", "activity-fault", "external-call-fault",
                                         "resume-fault" };
    static const char *const classes[] = { "argument",
                                           "invalid-state",
                                           "not-authorized",
                                           "not-supported",
                                           "connection",
                                           "timeout",
                                           "throttled",
                                           "server-error",
                                           "client-error",
                                           "malformed-answer",
                                           "forbidden-address",
                                           "circuit-open",
                                           "unknown-outcome",
                                           "store-unavailable",
                                           "attempt-lost",
                                           "business",
                                           "other" };
    EXPECT_INT(PW_LENGTH(kinds), PW_FAULT_KIND_COUNT);
    EXPECT_INT(PW_LENGTH(classes), PW_ERROR_CLASS_COUNT);
    for (unsigned i = 0; i < PW_LENGTH(kinds); i++)
        EXPECT_TEXT(pw_fault_kind_name((pw_fault_kind)i), kinds[i]);
    for (unsigned i = 0; i < PW_LENGTH(classes); i++)
        EXPECT_TEXT(pw_error_class_name((pw_error_class)i), classes[i]);
    pw_fault_kind kind;
    pw_error_class class_;
    EXPECT(!pw_fault_kind_parse(&kind, PW_LIT("activity")));
    EXPECT(!pw_error_class_parse(&class_, PW_LIT("weather")));
}

/* ---- classes */

TEST(fault, the_class_of_an_answer_follows_from_its_status)
{
    static const struct {
        int status;
        pw_error_class class_;
    } answers[] = {
        { 400, PW_CLASS_CLIENT },    { 401, PW_CLASS_CLIENT },    { 404, PW_CLASS_CLIENT },
        { 407, PW_CLASS_CLIENT },    { 408, PW_CLASS_TIMEOUT },   { 409, PW_CLASS_CLIENT },
        { 428, PW_CLASS_CLIENT },    { 429, PW_CLASS_THROTTLED }, { 430, PW_CLASS_CLIENT },
        { 499, PW_CLASS_CLIENT },    { 500, PW_CLASS_SERVER },    { 501, PW_CLASS_SERVER },
        { 503, PW_CLASS_SERVER },    { 504, PW_CLASS_SERVER },    { 599, PW_CLASS_SERVER },
        { 600, PW_CLASS_MALFORMED }, { 304, PW_CLASS_MALFORMED }, { 399, PW_CLASS_MALFORMED },
        { 100, PW_CLASS_MALFORMED }, { 200, PW_CLASS_MALFORMED },
    };
    for (size_t i = 0; i < PW_LENGTH(answers); i++)
        if (pw_error_class_of_answer(answers[i].status) != answers[i].class_)
            fail_msg("%d is %s", answers[i].status,
                     pw_error_class_name(pw_error_class_of_answer(answers[i].status)));
}

TEST(fault, the_class_of_an_activitys_error_follows_from_its_status)
{
    static const struct {
        int status;
        pw_error_class class_;
    } errors[] = {
        { 400, PW_CLASS_ARGUMENT },    { 422, PW_CLASS_ARGUMENT }, { 409, PW_CLASS_STATE },
        { 401, PW_CLASS_DENIED },      { 403, PW_CLASS_DENIED },   { 405, PW_CLASS_UNSUPPORTED },
        { 501, PW_CLASS_UNSUPPORTED }, { 408, PW_CLASS_TIMEOUT },  { 504, PW_CLASS_TIMEOUT },
        { 404, PW_CLASS_OTHER },       { 500, PW_CLASS_OTHER },    { 503, PW_CLASS_OTHER },
        { 0, PW_CLASS_OTHER },
    };
    for (size_t i = 0; i < PW_LENGTH(errors); i++)
        if (pw_error_class_of_activity(errors[i].status) != errors[i].class_)
            fail_msg("%d is %s", errors[i].status,
                     pw_error_class_name(pw_error_class_of_activity(errors[i].status)));
}

TEST(fault, the_class_of_each_code_of_the_engine)
{
    static const pw_error_class expected[] = {
        [PAWL_OK] = PW_CLASS_OTHER,
        [PAWL_INVALID] = PW_CLASS_ARGUMENT,
        [PAWL_NOT_FOUND] = PW_CLASS_ARGUMENT,
        [PAWL_CONFLICT] = PW_CLASS_STATE,
        [PAWL_STATE] = PW_CLASS_STATE,
        [PAWL_BUSY] = PW_CLASS_OTHER,
        [PAWL_TIMEOUT] = PW_CLASS_TIMEOUT,
        [PAWL_IO] = PW_CLASS_STORE,
        [PAWL_LOST] = PW_CLASS_STORE,
        [PAWL_CORRUPT] = PW_CLASS_STATE,
        [PAWL_NO_MEMORY] = PW_CLASS_OTHER,
        [PAWL_SCHEMA] = PW_CLASS_UNSUPPORTED,
        [PAWL_EXPRESSION] = PW_CLASS_ARGUMENT,
        [PAWL_DENIED] = PW_CLASS_DENIED,
    };
    for (size_t i = 0; i < PW_LENGTH(expected); i++)
        if (pw_error_class_of_code((pawl_code)i) != expected[i])
            fail_msg("%s is %s", pawl_code_name((pawl_code)i),
                     pw_error_class_name(pw_error_class_of_code((pawl_code)i)));
}

TEST(fault, connections_timeouts_429_and_5xx_break_a_circuit_and_nothing_else)
{
    for (unsigned i = 0; i < PW_ERROR_CLASS_COUNT; i++) {
        pw_error_class class_ = (pw_error_class)i;
        bool breaks = class_ == PW_CLASS_CONNECTION || class_ == PW_CLASS_TIMEOUT ||
                      class_ == PW_CLASS_THROTTLED || class_ == PW_CLASS_SERVER;
        EXPECT_INT(pw_error_class_breaks(class_), breaks);
    }
}

/* ---- decisions */

TEST(fault, what_is_final_is_not_tried_again_even_once)
{
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        pw_fault_facts facts = facts_of(rows[i].name);
        facts.final = true;
        facts.retry_after_ms = 1000;
        EXPECT(!decide(&pw_fault_policy_default, &facts).should_retry);
    }
}

TEST(fault, the_tasks_own_retry_settings_go_before_the_policy)
{
    pw_retry_settings own = { .backoff = PW_BACKOFF_CONSTANT, .delay_ms = 77, .count = 1 };
    pw_fault_facts facts = facts_of("external-call:timeout");
    facts.retry = &own;
    pw_fault_result r = decide(&pw_fault_policy_default, &facts);
    EXPECT(r.should_retry);
    EXPECT_INT(r.retry_delay_ms, 77);
    facts.attempts = 2;
    EXPECT(!decide(&pw_fault_policy_default, &facts).should_retry);
    facts.attempts = 1;
    own.count = 0;
    EXPECT(!decide(&pw_fault_policy_default, &facts).should_retry);
    facts.class_ = PW_CLASS_CLIENT; /* and yet what is of no use is not done */
    own.count = 5;
    EXPECT(!decide(&pw_fault_policy_default, &facts).should_retry);
}

TEST(fault, retry_after_is_honoured_up_to_the_cap)
{
    pw_fault_facts facts = facts_of("external-call:throttled");
    facts.retry_after_ms = 45000;
    EXPECT_INT(decide(&pw_fault_policy_default, &facts).retry_delay_ms, 45000);
    facts.retry_after_ms = 86400000;
    EXPECT_INT(decide(&pw_fault_policy_default, &facts).retry_delay_ms, 60000);
    pw_retry_settings own = { .delay_ms = 10,
                              .count =
                                  1 }; /* without a cap: the policy's holds for what others ask */
    facts.retry = &own;
    EXPECT_INT(decide(&pw_fault_policy_default, &facts).retry_delay_ms, 60000);
    own.delay_ms = 100000; /* its own delay is its own affair */
    EXPECT_INT(decide(&pw_fault_policy_default, &facts).retry_delay_ms, 100000);
}

TEST(fault, the_next_attempt_at_a_job_begins_when_its_worker_says)
{
    pw_fault_facts facts = facts_of("activity:other");
    facts.retry_after_ms = 86400000;
    EXPECT_INT(decide(&pw_fault_policy_default, &facts).retry_delay_ms, 86400000);
    facts.retry_after_ms = 1;
    EXPECT_INT(decide(&pw_fault_policy_default, &facts).retry_delay_ms, 1);
    facts.attempts = 4;
    EXPECT(!decide(&pw_fault_policy_default, &facts).should_retry);
}

TEST(fault, an_attempt_that_was_lost_is_made_again_at_once)
{
    pw_fault_facts facts = facts_of("activity:attempt-lost");
    pw_retry_settings own = { .delay_ms = 500, .jitter_ms_from = 3, .jitter_ms_to = 9, .count = 2 };
    for (facts.attempts = 1; facts.attempts <= 3; facts.attempts++) {
        pw_fault_result r = decide(&pw_fault_policy_default, &facts);
        EXPECT(r.should_retry);
        EXPECT_INT(r.retry_delay_ms, 0);
    }
    EXPECT(!decide(&pw_fault_policy_default, &facts).should_retry);
    facts.attempts = 2;
    facts.retry = &own;
    EXPECT(decide(&pw_fault_policy_default, &facts).should_retry);
    EXPECT_INT(decide(&pw_fault_policy_default, &facts).retry_delay_ms, 0);
    facts.attempts = 3;
    EXPECT(!decide(&pw_fault_policy_default, &facts).should_retry);
}

TEST(fault, the_fifth_incident_within_half_an_hour_suspends)
{
    pw_fault_facts facts = facts_of("activity:argument");
    EXPECT_INT(pw_fault_policy_default.suspend_within_ms, 1800000);
    for (facts.incidents = 0; facts.incidents < 5; facts.incidents++)
        EXPECT(!decide(&pw_fault_policy_default, &facts).suspend_workflow);
    EXPECT(decide(&pw_fault_policy_default, &facts).suspend_workflow);
    facts.incidents = 6;
    EXPECT(decide(&pw_fault_policy_default, &facts).suspend_workflow);
    pw_fault_policy never = pw_fault_policy_default;
    never.suspend_after = 0;
    EXPECT(!decide(&never, &facts).suspend_workflow);
    EXPECT(decide(&never, &facts).requires_manual_intervention);
}

TEST(fault, a_retry_is_no_incident_and_an_error_to_a_caller_suspends_nothing)
{
    pw_fault_facts facts = facts_of("activity:other");
    facts.incidents = 9;
    pw_fault_result r = decide(&pw_fault_policy_default, &facts);
    EXPECT(r.should_retry && !r.suspend_workflow && !r.requires_manual_intervention);
    facts = facts_of("resume:argument");
    facts.incidents = 9;
    r = decide(&pw_fault_policy_default, &facts);
    EXPECT(!r.should_retry && !r.suspend_workflow && !r.requires_manual_intervention);
}

TEST(fault, the_limits_of_all_attempts_together_count_from_the_first)
{
    pw_retry_settings own = { .delay_ms = 100, .total_ms = 1000, .count = PW_RETRY_UNLIMITED };
    pw_fault_facts facts = facts_of("activity:other");
    facts.retry = &own;
    facts.attempts = 40;
    facts.now_ms = T0 + 899;
    EXPECT(decide(&pw_fault_policy_default, &facts).should_retry);
    facts.now_ms = T0 + 900;
    EXPECT(!decide(&pw_fault_policy_default, &facts).should_retry);
}

TEST(fault, in_every_history_the_fields_agree_and_no_delay_is_above_the_cap)
{
    uint64_t seed = 42;
    for (int i = 0; i < 50000; i++) {
        uint64_t r = pw_seed_next(&seed), q = pw_seed_next(&seed);
        pw_fault_policy policy = pw_fault_policy_default;
        pw_fault_facts facts = { .kind = (pw_fault_kind)(r % 4),
                                 .class_ = (pw_error_class)((r >> 8) % 17),
                                 .final = (r >> 16) % 4 == 0,
                                 .attempts = (uint32_t)(r >> 20) % 12,
                                 .first_ms = T0,
                                 .now_ms = T0 + (int64_t)(q % 100000) - 1000,
                                 .retry_after_ms = (r >> 30) % 3 ? 0 : q >> (r % 64),
                                 .seed = q,
                                 .incidents = (uint32_t)(r >> 40) % 8 };
        pw_retry_settings *settings = &policy.retry[facts.kind];
        settings->count = (uint32_t)(r >> 44) % 8;
        settings->delay_ms = q >> (r % 60);
        settings->delay_ms_max = 1 + (r >> 20) % 100000;
        pw_fault_result result = decide(&policy, &facts);
        expect_consistent(&result);
        if (!result.should_retry)
            continue;
        EXPECT(facts.attempts <= settings->count);
        if (facts.kind == PW_FAULT_ACTIVITY && facts.retry_after_ms) {
            EXPECT(result.retry_delay_ms == facts.retry_after_ms);
            continue;
        }
        EXPECT(result.retry_delay_ms <= settings->delay_ms_max);
        EXPECT(result.retry_delay_ms >= (facts.retry_after_ms < settings->delay_ms_max
                                             ? facts.retry_after_ms
                                             : settings->delay_ms_max));
    }
}

/* ---- rows that are configured */

static void expect_refused(const char *name, const char *decision, const char *why)
{
    pw_fault_policy policy = pw_fault_policy_default;
    pawl_error err;
    EXPECT_INT(pw_fault_policy_set(&policy, pw_str_of(name), pw_str_of(decision), &err),
               PAWL_INVALID);
    EXPECT_TEXT(err.message, why);
    EXPECT(memcmp(&policy, &pw_fault_policy_default, sizeof policy) == 0);
}

TEST(fault, each_row_can_be_configured_and_no_other_is_touched)
{
    static const char *const decisions[2][5] = { { "retry", "retry-at-once", "error", NULL, NULL },
                                                 { "retry", "retry-at-once", "incident", "suspend",
                                                   NULL } };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        pw_fault_facts facts = facts_of(rows[i].name);
        bool call = facts.kind == PW_FAULT_ACTIVITY || facts.kind == PW_FAULT_EXTERNAL_CALL;
        for (const char *const *d = decisions[call]; *d; d++) {
            if (facts.class_ == PW_CLASS_UNKNOWN && strncmp(*d, "retry", 5) == 0)
                continue;
            pw_fault_policy policy = pw_fault_policy_default;
            pawl_error err;
            EXPECT_OK(pw_fault_policy_set(&policy, pw_str_of(rows[i].name), pw_str_of(*d), &err),
                      err);
            pw_fault_rule *rule = &policy.rules[facts.kind][facts.class_];
            EXPECT_INT(rule->retried, strncmp(*d, "retry", 5) == 0);
            EXPECT_INT(rule->at_once, strcmp(*d, "retry-at-once") == 0);
            EXPECT_INT(rule->then, strcmp(*d, "suspend") == 0 ? PW_THEN_SUSPEND : rows[i].then);
            *rule = pw_fault_policy_default.rules[facts.kind][facts.class_];
            EXPECT(memcmp(&policy, &pw_fault_policy_default, sizeof policy) == 0);
        }
    }
}

TEST(fault, a_row_that_suspends_does_so_at_the_first_incident)
{
    pw_fault_policy policy = pw_fault_policy_default;
    pawl_error err;
    EXPECT_OK(
        pw_fault_policy_set(&policy, PW_LIT("external-call.client-error"), PW_LIT("suspend"), &err),
        err);
    pw_fault_facts facts = facts_of("external-call:client-error");
    pw_fault_result r = decide(&policy, &facts);
    EXPECT(r.suspend_workflow && r.requires_manual_intervention && !r.should_retry);
    EXPECT(strstr(r.recommended_action.ptr,
                  "The fault table calls this critical: the instance is suspended."));
    EXPECT_OK(
        pw_fault_policy_set(&policy, PW_LIT("external-call:client-error"), PW_LIT("retry"), &err),
        err);
    EXPECT(decide(&policy, &facts).should_retry);
    facts.attempts = 6;
    EXPECT(decide(&policy, &facts).suspend_workflow); /* retry keeps what comes then */
}

TEST(fault, a_row_that_cannot_be_is_refused_with_what_there_is)
{
    expect_refused("timeout", "retry",
                   "a row of the fault table is KIND:CLASS, like activity:timeout, not 'timeout'");
    expect_refused(
        "job:timeout", "retry",
        "there is no kind of fault 'job': it is startup, activity, external-call or resume");
    expect_refused("activity-fault:timeout", "retry",
                   "there is no kind of fault 'activity-fault': it is startup, activity, "
                   "external-call or resume");
    expect_refused("activity:slow", "retry",
                   "there is no class of errors 'slow'; there are: argument invalid-state "
                   "not-authorized not-supported connection "
                   "timeout throttled server-error client-error malformed-answer forbidden-address "
                   "circuit-open unknown-outcome "
                   "store-unavailable attempt-lost business other");
    expect_refused("activity:", "retry",
                   "there is no class of errors ''; there are: argument invalid-state "
                   "not-authorized not-supported connection "
                   "timeout throttled server-error client-error malformed-answer forbidden-address "
                   "circuit-open unknown-outcome "
                   "store-unavailable attempt-lost business other");
    expect_refused(
        "activity:timeout", "error",
        "'activity:timeout' must be retry, retry-at-once, incident or suspend, not 'error'");
    expect_refused("startup:timeout", "incident",
                   "'startup:timeout' must be retry, retry-at-once or error, not 'incident'");
    expect_refused("resume:timeout", "suspend",
                   "'resume:timeout' must be retry, retry-at-once or error, not 'suspend'");
    expect_refused("external-call:unknown-outcome", "retry",
                   "'external-call:unknown-outcome' is not retried by the table: OnUnknownOutcome "
                   "decides that (resend, ask or fault)");
}

/* ---- words */

static pw_fault_facts told(const char *name)
{
    pw_fault_facts facts = facts_of(name);
    facts.instance = PW_LIT("01HX");
    facts.task = PW_LIT("/do/0/charge");
    facts.name = PW_LIT("charge");
    facts.service = PW_LIT("https://pay.example:443");
    facts.endpoint = PW_LIT("https://me:secret@pay.example/charges?key=secret#x");
    facts.status = 503;
    facts.detail = PW_LIT("out of order.");
    return facts;
}

static void expect_action(const pw_fault_facts *facts, const char *expected)
{
    pw_fault_result r = decide(&pw_fault_policy_default, facts);
    EXPECT_STR(r.recommended_action, expected);
}

TEST(fault, the_action_names_task_service_failure_attempts_checks_and_commands)
{
    pw_fault_facts facts = told("external-call:server-error");
    facts.attempts = 6;
    expect_action(&facts, "Review external service https://pay.example:443: task 'charge' "
                          "(/do/0/charge) called https://pay.example/charges; "
                          "the service failed (status 503: out of order). 6 attempts were made. "
                          "Check the service, and its own log at this "
                          "time. `pawl incident 01HX` shows all of it; `pawl retry 01HX` tries it "
                          "again when it is mended, `pawl fail 01HX` "
                          "gives it up, `pawl cancel 01HX` cancels the instance.");
}

TEST(fault, the_action_of_an_activity_names_its_function)
{
    pw_fault_facts facts = told("activity:argument");
    facts.service = PW_LIT("book-hotel");
    facts.status = 422;
    facts.detail = PW_LIT("no such city");
    expect_action(&facts, "Review function 'book-hotel': task 'charge' (/do/0/charge) called it; a "
                          "definition, input or argument cannot work "
                          "(status 422: no such city). 1 attempt was made. Check the definition, "
                          "and the input and arguments: as they are, it "
                          "fails again. `pawl incident 01HX` shows all of it; `pawl retry 01HX` "
                          "tries it again when it is mended, `pawl fail "
                          "01HX` gives it up, `pawl cancel 01HX` cancels the instance.");
}

TEST(fault, the_action_of_what_is_no_attempt_names_the_task)
{
    pw_fault_facts facts = told("activity:argument");
    facts.service = facts.detail = (pw_str){ 0 };
    facts.attempts = 0;
    facts.status = 400;
    facts.incidents = 5;
    expect_action(&facts, "Review task 'charge' (/do/0/charge): it failed; a definition, input or "
                          "argument cannot work (status 400). Check the "
                          "definition, and the input and arguments: as they are, it fails again. "
                          "It is incident 5 of this instance within 30 "
                          "min: the instance is suspended, and nothing tries it again by itself. "
                          "`pawl incident 01HX` shows all of it; `pawl "
                          "retry 01HX` tries it again when it is mended, `pawl fail 01HX` gives it "
                          "up, `pawl cancel 01HX` cancels the instance.");
}

TEST(fault, the_action_of_an_unknown_outcome_says_what_a_retry_does)
{
    pw_fault_facts facts = told("external-call:unknown-outcome");
    facts.status = 0;
    facts.detail = (pw_str){ 0 };
    expect_action(&facts, "Review external service https://pay.example:443: task 'charge' "
                          "(/do/0/charge) called https://pay.example/charges; "
                          "nobody knows whether the call had its effect. 1 attempt was made. Look "
                          "at the service whether the request with this "
                          "idempotency key was carried out. `pawl incident 01HX` shows all of it; "
                          "`pawl retry 01HX` sends the same request "
                          "again, with the same key, `pawl fail 01HX` gives it up, `pawl cancel "
                          "01HX` cancels the instance.");
}

TEST(fault, the_action_of_an_open_circuit_says_where_to_look)
{
    pw_fault_facts facts = told("external-call:circuit-open");
    EXPECT_CONTAINS(decide(&pw_fault_policy_default, &facts).recommended_action.ptr,
                    "the circuit breaker of the service is open (status 503: out of order). "
                    "Nothing was sent. Check the service: "
                    "`pawl breakers` shows since when calls to it fail, and how.");
    facts.attempts = 3;
    EXPECT_CONTAINS(decide(&pw_fault_policy_default, &facts).recommended_action.ptr,
                    "out of order). 2 attempts were made before. Check the service: ");
}

TEST(fault, the_action_of_a_start_and_of_an_answer_says_that_nothing_has_changed)
{
    pw_fault_facts facts = { .kind = PW_FAULT_STARTUP,
                             .class_ = PW_CLASS_TIMEOUT,
                             .attempts = 4,
                             .name = PW_LIT("shop/order") };
    expect_action(
        &facts,
        "The start of 'shop/order' failed, and nothing was started; there was no answer in time. 4 "
        "attempts were "
        "made. Check how busy the engine and its store are. Then start it again: `pawl start`.");
    facts = told("resume:invalid-state");
    facts.status = 0;
    expect_action(&facts, "The answer to task 'charge' (/do/0/charge) could not be taken, and "
                          "nothing was consumed; this is not possible "
                          "in the state that something is in (out of order). 1 attempt was made. "
                          "Check the state of what is to be "
                          "changed: it may be done already, or be another's now. `pawl show 01HX` "
                          "lists what it waits for; then answer "
                          "again.");
}

TEST(fault, the_action_of_a_retry_says_when_it_comes)
{
    static const struct {
        uint64_t delay_ms;
        const char *when;
    } delays[] = {
        { 0, "follows at once. If" },
        { 1, "follows in 1 ms (" },
        { 999, "follows in 999 ms (" },
        { 1000, "follows in 1 s (" },
        { 4250, "follows in 4.2 s (" },
        { 59999, "follows in 59.9 s (" },
        { 60000, "follows in 1 min (" },
        { 125000, "follows in 2 min 5 s (" },
        { 3600000, "follows in 1 h (" },
        { 12000000, "follows in 3 h 20 min (" },
        { UINT64_MAX, "follows in 5124095576030 h 25 min (" },
    };
    pw_retry_settings own = { .count = 5 };
    pw_fault_facts facts = told("external-call:connection");
    facts.retry = &own;
    facts.attempts = 2;
    for (size_t i = 0; i < PW_LENGTH(delays); i++) {
        own.delay_ms = delays[i].delay_ms;
        EXPECT_CONTAINS(decide(&pw_fault_policy_default, &facts).recommended_action.ptr,
                        delays[i].when);
    }
    own.delay_ms = 4250;
    expect_action(
        &facts,
        "Nothing yet: attempt 3 of 6 follows in 4.2 s (`pawl retry 01HX` makes it now). If it "
        "fails too: Check that the "
        "service runs, and its name, port, certificate, proxy and firewall, from this machine.");
    own.count = PW_RETRY_UNLIMITED;
    EXPECT_CONTAINS(decide(&pw_fault_policy_default, &facts).recommended_action.ptr,
                    "Nothing yet: attempt 3 follows in 4.2 s (");
}

TEST(fault, every_action_names_the_instance_and_a_command)
{
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        pw_fault_facts facts = told(rows[i].name);
        facts.attempts = 50;
        const char *action = decide(&pw_fault_policy_default, &facts).recommended_action.ptr;
        switch (facts.kind) {
        case PW_FAULT_STARTUP:
            EXPECT_CONTAINS(action, "`pawl start`");
            break;
        case PW_FAULT_RESUME:
            EXPECT_CONTAINS(action, "`pawl show 01HX`");
            break;
        case PW_FAULT_ACTIVITY:
        case PW_FAULT_EXTERNAL_CALL:
            EXPECT_CONTAINS(action, "`pawl incident 01HX`");
            EXPECT_CONTAINS(action, "`pawl retry 01HX`");
            EXPECT_CONTAINS(action, "`pawl fail 01HX`");
            EXPECT_CONTAINS(action, "`pawl cancel 01HX`");
            break;
        }
        EXPECT_CONTAINS(action, "charge");
        EXPECT(!strstr(action, "secret"));
    }
}

TEST(fault, text_of_the_outside_is_cut_and_stays_on_one_line)
{
    char detail[1000];
    memset(detail, 'x', sizeof detail);
    memcpy(detail, "a\nb\x1b[1m", 7);
    memcpy(detail + 199, "\xc3\xa4", 2); /* a letter across the limit goes whole */
    pw_fault_facts facts = told("external-call:client-error");
    facts.detail = (pw_str){ detail, sizeof detail };
    pw_fault_result r = decide(&pw_fault_policy_default, &facts);
    EXPECT(pw_utf8_valid(r.recommended_action));
    EXPECT(r.recommended_action.len < 900);
    EXPECT_CONTAINS(r.recommended_action.ptr, "(status 503: a b [1mxxx");
    EXPECT_CONTAINS(r.recommended_action.ptr, "xxx...). 1 attempt");
    EXPECT(!strchr(r.recommended_action.ptr, '\n') && !strchr(r.recommended_action.ptr, '\x1b'));
}

TEST(fault, nothing_known_still_makes_a_sentence)
{
    pw_fault_facts facts = { .kind = PW_FAULT_EXTERNAL_CALL,
                             .class_ = PW_CLASS_CLIENT,
                             .attempts = 1 };
    EXPECT_CONTAINS(decide(&pw_fault_policy_default, &facts).recommended_action.ptr,
                    "Review external service: the workflow called it; the service refused the "
                    "call. 1 attempt was made.");
    facts.kind = PW_FAULT_ACTIVITY;
    facts.class_ = PW_CLASS_BUSINESS;
    facts.task = PW_LIT("/do/3/x");
    EXPECT_CONTAINS(decide(&pw_fault_policy_default, &facts).recommended_action.ptr,
                    "Review task /do/3/x: it failed; the definition or a worker raised this on "
                    "purpose. 1 attempt was made.");
}

TEST(fault, without_memory_there_is_still_an_action)
{
    pw_fault_facts facts = told("external-call:client-error");
    for (size_t limit = 16; limit < 2000; limit += 16) {
        pw_arena_done(&arena);
        pw_arena_init(&arena, limit);
        pw_fault_result r = pw_fault_decide(&pw_fault_policy_default, &facts, &arena);
        EXPECT(!r.should_retry && r.requires_manual_intervention);
        EXPECT(r.recommended_action.len > 0);
    }
}
