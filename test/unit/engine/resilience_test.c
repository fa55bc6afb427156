/* resilience_test.c - the suite "resilience service": what the policies make of services that fail. Delays are read from the
 * log and the rows, and the clock is moved over them; requests are counted where they arrive. */
#include <limits.h>
#include "trouble.h"

/* In jq: ms of an instant as text. */
#define MS "def ms: (.[0:19] + \"Z\" | fromdateiso8601) * 1000 + (.[20:23] | tonumber); "

static const char json[] = "Content-Type: application/json\r\n";

static service_answer fails(int status, unsigned times)
{
    return (service_answer){ .status = status, .times = times, .body = "not now" };
}

static service_answer answers(unsigned times)
{
    return (service_answer){ .headers = json, .body = "{\"paid\":true}", .times = times };
}

/* Starts `count` instances; ids to pawl_free. */
static void start_many(trouble *t, const char *name, unsigned count, char **ids)
{
    for (unsigned i = 0; i < count; i++)
        ids[i] = start(&t->f, name, NULL);
}

static void finish_many(trouble *t, unsigned count, char **ids)
{
    for (unsigned i = 0; i < count; i++) {
        char *text = finish(&t->f, ids[i]);
        EXPECT_ASK(text, ".status", "\"completed\"");
        pawl_free(text);
        pawl_free(ids[i]);
    }
}

/* ------------------------------------------------------------------ retries */

TEST(resilience_service, a_service_that_fails_k_times_is_absorbed)
{
    static const int statuses[] = { 503, 500, 429, 408, 504 };
    for (unsigned k = 0; k <= 5; k++) {
        trouble t;
        char expected[64];
        trouble_init(&t, "memory:");
        trouble_open(&t);
        for (unsigned i = 0; i < k; i++)
            service_on(t.s, "/pay", fails(statuses[i], 1));
        service_on(t.s, "/pay", answers(0));
        deploy_call(&t, "pay", "/pay", NULL);
        char *id = start(&t.f, "pay", NULL);
        (void)drive(&t, id);
        EXPECT_SHOW(&t, id, "[.status, .output.paid]", "[\"completed\",true]");
        EXPECT_INT(service_requests(t.s), k + 1);
        (void)snprintf(expected, sizeof expected, "[%u,%u]", k, k + 1); /* a step each, and the start */
        EXPECT_LOG(&t, id, "[(" FAILED " | length), (.steps | map(select(.event == \"call-result\")) | length)]", expected);
        EXPECT_TEXT(faults(&t, id), "");
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(resilience_service, a_function_that_fails_k_times_is_absorbed)
{
    static const int statuses[] = { 500, 503, 418 };
    for (unsigned k = 0; k <= 3; k++) {
        trouble t;
        char expected[64];
        trouble_init(&t, "memory:");
        t.statuses = statuses;
        t.status_count = k;
        trouble_open(&t);
        deploy_work(&t, "work", NULL);
        char *id = start(&t.f, "work", NULL);
        (void)drive(&t, id);
        (void)snprintf(expected, sizeof expected, "[\"completed\",%u]", k + 1);
        EXPECT_SHOW(&t, id, "[.status, .output.attempt]", expected);
        EXPECT_INT(trouble_runs(&t), k + 1);
        for (unsigned i = 0; i <= k; i++) {
            EXPECT_INT(t.attempts[i], i + 1);
            EXPECT_TEXT(t.keys[i], t.keys[0]);
        }
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(resilience_service, delays_of_calls_are_within_5_10_20_40_60_s_and_the_next_attempt_waits_them_out)
{
    trouble t;
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/pay", fails(503, 0));
    deploy_call(&t, "pay", "/pay", NULL);
    char *id = start(&t.f, "pay", NULL);
    for (unsigned attempt = 1; attempt <= 5; attempt++) {
        idle(&t, id);
        if (wake_at(&t, id) <= 0) /* the jitter left no delay, and no more attempts */
            break;
        unsigned before = service_requests(t.s);
        fixture_clock(&t.f, (uint64_t)wake_at(&t, id) - 1);
        EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
        EXPECT_INT(service_requests(t.s), before); /* a millisecond early: nothing is sent */
        go_on(&t, id);
        EXPECT(service_requests(t.s) > before);
    }
    EXPECT_INT(service_requests(t.s), 6);
    EXPECT_LOG(&t, id, "[" FAILED "[] | .attempt]", "[1,2,3,4,5]");
    EXPECT_LOG(&t, id, "[" FAILED "[] | .shouldRetry] | unique", "[true]");
    EXPECT_LOG(&t, id, FAULT " | [.attempts, .shouldRetry, .class]", "[6,false,\"server-error\"]");
    EXPECT_LOG(&t, id,
               "[" FAILED "[] | select(.shouldRetry) | .retryDelayMs] as $d | [5000, 10000, 20000, 40000, 60000] as $most"
               " | [range(5) | $d[.] >= 0 and $d[.] <= $most[.]]",
               "[true,true,true,true,true]");
    EXPECT_LOG(&t, id,
               MS "[.steps[] | (.at | ms) as $at | .entries[] | select(.type == \"attempt.failed\" and .shouldRetry)"
                  " | (.dueAt | ms) - $at - .retryDelayMs]",
               "[0,0,0,0,0]");
    EXPECT_LOG(&t, id, "[" FAILED "[] | .class] | unique", "[\"server-error\"]");
    pawl_free(id);
    trouble_done(&t);
}

TEST(resilience_service, delays_of_functions_are_within_1_2_4_s_and_no_delay_is_above_the_limit)
{
    static const int statuses[] = { 500, 500, 500, 500, 500, 500, 500, 500 };
    static const struct {
        uint32_t retries;
        uint64_t base_ms, max_ms;
        const char *most, *good;
    } cases[] = {
        { 3, 1000, 30000, "[1000, 2000, 4000]", "[true,true,true]" },
        { 6, 1000, 30000, "[1000, 2000, 4000, 8000, 16000, 30000]", "[true,true,true,true,true,true]" },
        { 4, 2000, 5000, "[2000, 4000, 5000, 5000]", "[true,true,true,true]" },
        { 2, 700, 700, "[700, 700]", "[true,true]" },
        { 0, 1000, 30000, "[]", "[]" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        trouble t;
        char expression[512];
        trouble_init(&t, "memory:");
        t.statuses = statuses;
        t.status_count = PW_LENGTH(statuses);
        t.resilience.retries = cases[i].retries;
        t.resilience.base_delay_ms = cases[i].base_ms;
        t.resilience.max_delay_ms = cases[i].max_ms;
        trouble_open(&t);
        deploy_work(&t, "work", NULL);
        char *id = start(&t.f, "work", NULL);
        (void)drive(&t, id);
        EXPECT_INT(trouble_runs(&t), cases[i].retries + 1);
        (void)snprintf(expression, sizeof expression,
                       "[" FAILED "[] | select(.shouldRetry) | .retryDelayMs] as $d | %s as $most"
                       " | [range($most | length) | $d[.] >= 0 and $d[.] <= $most[.]]",
                       cases[i].most);
        EXPECT_LOG(&t, id, expression, cases[i].good);
        EXPECT_SHOW(&t, id, ".status", "\"faulted\"");
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(resilience_service, jitter_spreads_what_failed_at_once)
{
    enum { COUNT = 40 };
    trouble t;
    char *ids[COUNT];
    unsigned late = 0, early = 0;
    trouble_init(&t, "memory:");
    trouble_open(&t);
    service_on(t.s, "/pay", fails(503, COUNT));
    service_on(t.s, "/pay", answers(0));
    deploy_call(&t, "pay", "/pay", "{circuitBreaker: {failures: 1000, minimumThroughput: 1000}}");
    start_many(&t, "pay", COUNT, ids);
    EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
    for (unsigned i = 0; i < COUNT; i++) {
        int64_t at = wake_at(&t, ids[i]);
        if (at <= 0)
            continue; /* no delay at all: one of 5,001 */
        EXPECT(at >= TIME0 && at <= TIME0 + 10000); /* 5 s at most; 10 after one that had no delay at all */
        early += at < TIME0 + 2500;
        late += at >= TIME0 + 2500;
    }
    EXPECT(early > 0 && late > 0); /* all on one side: once in 2^39 */
    fixture_clock(&t.f, TIME0 + 10000);
    finish_many(&t, COUNT, ids);
    EXPECT_INT(service_requests(t.s), 2 * COUNT);
    trouble_done(&t);
}

TEST(resilience_service, retry_after_is_honoured_up_to_the_longest_delay)
{
    static const struct {
        int status;
        const char *headers, *delay;
    } cases[] = {
        { 503, "Retry-After: 7\r\n", "[7000]" },
        { 429, "Retry-After: 12\r\n", "[12000]" },
        { 503, "Retry-After: 3600\r\n", "[60000]" },                       /* MaxDelay */
        { 503, "Retry-After: Fri, 15 Jan 2027 08:00:20 GMT\r\n", "[20000]" }, /* 20 s after TIME0 */
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        trouble t;
        trouble_init(&t, "memory:");
        trouble_open(&t);
        service_on(t.s, "/pay", (service_answer){ .status = cases[i].status, .headers = cases[i].headers, .times = 1 });
        service_on(t.s, "/pay", answers(0));
        deploy_call(&t, "pay", "/pay", NULL);
        char *id = start(&t.f, "pay", NULL);
        idle(&t, id);
        EXPECT_LOG(&t, id, "[" FAILED "[] | .retryDelayMs]", cases[i].delay);
        go_on(&t, id);
        EXPECT_SHOW(&t, id, ".status", "\"completed\"");
        EXPECT_INT(service_requests(t.s), 2);
        pawl_free(id);
        trouble_done(&t);
    }
}

/* ------------------------------------------------------------------ time-outs */

TEST(resilience_service, an_attempt_that_takes_too_long_is_over_and_the_next_is_made)
{
    trouble t;
    trouble_init(&t, NULL);
    t.f.options.http_timeout_ms = 60000; /* the task's is shorter */
    trouble_open(&t);
    service_on(t.s, "/pay", (service_answer){ .hold = true, .times = 1 });
    service_on(t.s, "/pay", answers(0));
    deploy_call(&t, "pay", "/pay", "{timeout: {seconds: 2}}");
    char *id = start(&t.f, "pay", NULL);
    (void)drive(&t, id);
    EXPECT_SHOW(&t, id, "[.status, .output.paid]", "[\"completed\",true]");
    EXPECT_LOG(&t, id, "[" FAILED "[] | [.attempt, .class, .shouldRetry]]", "[[1,\"timeout\",true]]");
    EXPECT_INT(service_requests(t.s), 2);
    EXPECT_TEXT(key_of(&t, 1), key_of(&t, 0));
    pawl_free(id);
    trouble_done(&t);
}

TEST(resilience_service, a_function_that_takes_too_long_is_over_and_the_next_attempt_is_made)
{
    trouble t;
    trouble_init(&t, NULL);
    t.f.options.activity_timeout_ms = 2000; /* enough for the second one */
    trouble_open(&t);
    deploy(&t.f, "gated", "  - work: {call: gate, with: {}}");
    char *id = start(&t.f, "gated", NULL);
    gate_wait_entered(&t.f.gate, 1); /* its time runs out; the function sees that it is cancelled, and returns */
    idle(&t, id);
    gate_open(&t.f.gate, UINT_MAX);
    (void)drive(&t, id);
    EXPECT_SHOW(&t, id, "[.status, .output.attempt]", "[\"completed\",2]");
    EXPECT_LOG(&t, id, "[" FAILED "[] | [.attempt, .class, .shouldRetry]]", "[[1,\"timeout\",true]]");
    EXPECT_TEXT(t.f.gate.keys[1], t.f.gate.keys[0]);
    pawl_free(id);
    trouble_done(&t);
}

TEST(resilience_service, a_time_out_of_the_task_itself_ends_all_attempts)
{
    trouble t;
    trouble_init(&t, NULL);
    trouble_open(&t);
    char body[512];
    service_on(t.s, "/pay", fails(503, 0));
    (void)snprintf(body, sizeof body,
                   "  - pay: {call: http, with: {method: post, endpoint: '%s', body: {}}, timeout: {after: PT1S},"
                   " metadata: {pawl: {resilience: {retry: {delay: {seconds: 10}, limit: {attempt: {count: 9}}}}}}}",
                   service_url(t.s, "/pay"));
    deploy(&t.f, "hurry", body);
    char *id = start(&t.f, "hurry", NULL);
    idle(&t, id);
    EXPECT_INT(wake_at(&t, id), TIME0 + 1000); /* not the attempt at TIME0 + 10000 */
    go_on(&t, id);
    EXPECT_SHOW(&t, id, "[.status, .error.status, (.error.type | endswith(\"timeout\"))]", "[\"faulted\",408,true]");
    forward(&t, 60000);
    EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
    EXPECT_INT(service_requests(t.s), 1);
    pawl_free(id);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ circuit breaker */

/* With the system's clock: the breaker's own time is real. Failed attempts come again at once. */
static void breaker_init(trouble *t, uint32_t failures, uint32_t throughput, uint64_t break_ms)
{
    trouble_init(t, NULL);
    fixture_clock(&t->f, 0);
    t->resilience.breaker_failures = failures;
    t->resilience.breaker_throughput = throughput;
    t->resilience.breaker_break_ms = break_ms;
    t->resilience.call_retries = 100;
    t->resilience.call_base_delay_ms = 1;
    t->resilience.call_max_delay_ms = 1;
}

/* What a thread of the engine's own writes when it comes to it. */
static const char *ask_row(trouble *t, const char *none, const char *sql)
{
    (void)none;
    return ask_file(t, sql);
}

TEST(resilience_service, a_breaker_opens_at_its_number_of_failures_and_nothing_is_sent_while_it_is_open)
{
    enum { COUNT = 20 };
    trouble t;
    char *ids[COUNT];
    breaker_init(&t, 3, 3, 3600000);
    trouble_open(&t);
    service_on(t.s, "/pay", fails(503, 3));
    service_on(t.s, "/pay", answers(0));
    deploy_call(&t, "pay", "/pay", NULL);
    char *first = start(&t.f, "pay", NULL);
    until_breakers(&t, "[.breakers[] | [.state, .waiting, .sent, .failed]]", "[[\"open\",1,3,3]]");
    start_many(&t, "pay", COUNT, ids);
    until_breakers(&t, "[.breakers[] | .waiting]", "[21]");
    EXPECT_INT(service_requests(t.s), 3);
    EXPECT_LOG(&t, first, "[" FAILED "[] | .attempt]", "[1,2,3]"); /* to wait for the breaker is no attempt */
    EXPECT_SHOW(&t, first, "[.status, .waits[0].attempt]", "[\"waiting\",4]");
    EXPECT_SHOW(&t, ids[0], "[.status, .waits[0].attempt]", "[\"waiting\",1]");
    EXPECT_BREAKERS(&t, "[.breakers[] | has(\"openUntil\")]", "[true]");
    until_same(&t, ask_row, NULL, "SELECT state FROM breaker", "open");
    trouble_again(&t); /* its state is a row */
    until_breakers(&t, "[.breakers[] | [.state, .waiting]]", "[[\"open\",21]]");
    EXPECT_INT(service_requests(t.s), 3);
    const pawl_request ann = { .struct_size = sizeof ann, .actor = "ann" };
    char name[64], *told = NULL;
    (void)snprintf(name, sizeof name, "http://127.0.0.1:%d", service_port(t.s));
    EXPECT_OK(pawl_breaker_force(t.f.p, name, "auto", "mended", &ann, &told, &t.f.err), t.f.err);
    EXPECT_ASK(told, "[.state, .changedBy, .reason]", "[\"closed\",\"ann\",\"mended\"]");
    finish_many(&t, COUNT, ids);
    finish_many(&t, 1, &first);
    EXPECT_INT(service_requests(t.s), 3 + COUNT + 1);
    pawl_free(told);
    trouble_done(&t);
}

TEST(resilience_service, with_too_few_calls_it_does_not_open)
{
    trouble t;
    breaker_init(&t, 2, 10, 3600000);
    t.resilience.call_retries = 8;
    trouble_open(&t);
    service_on(t.s, "/pay", fails(503, 0));
    deploy_call(&t, "pay", "/pay", NULL);
    char *id = start(&t.f, "pay", NULL);
    char *text = finish(&t.f, id);
    EXPECT_ASK(text, ".status", "\"faulted\"");
    EXPECT_INT(service_requests(t.s), 9); /* nine failures, of the ten calls that it wants to have seen */
    EXPECT_BREAKERS(&t, "[.breakers[] | [.state, .calls, .failures]]", "[[\"closed\",9,9]]");
    char *next = start(&t.f, "pay", NULL); /* the tenth */
    until_breakers(&t, "[.breakers[] | [.state, .waiting]]", "[[\"open\",1]]");
    EXPECT_INT(service_requests(t.s), 10);
    pawl_free(next);
    pawl_free(text);
    pawl_free(id);
    trouble_done(&t);
}

TEST(resilience_service, one_probe_is_sent_and_its_success_lets_the_others_go_at_a_ramp)
{
    enum { COUNT = 12 };
    trouble t;
    char *ids[COUNT];
    breaker_init(&t, 2, 2, 100);
    trouble_open(&t);
    service_on(t.s, "/pay", fails(503, 2));
    service_on(t.s, "/pay", (service_answer){ .headers = json, .body = "{\"paid\":true}", .hold = true });
    deploy_call(&t, "pay", "/pay", NULL);
    start_many(&t, "pay", 1, ids); /* alone, until its two failures have opened it */
    service_wait_held(t.s, 1); /* the probe */
    start_many(&t, "pay", COUNT - 1, ids + 1);
    until_breakers(&t, "[.breakers[] | [.state, .active, .waiting]]", "[[\"half-open\",1,11]]");
    EXPECT_INT(service_requests(t.s), 3);
    service_release(t.s, 1);
    service_wait_requests(t.s, 4); /* it is closed: one at a time */
    until_breakers(&t, "[.breakers[] | [.state, .active, .waiting]]", "[[\"closed\",1,10]]");
    service_release(t.s, 1);
    service_wait_requests(t.s, 6); /* one has succeeded since: two */
    until_breakers(&t, "[.breakers[] | [.state, .active, .waiting]]", "[[\"closed\",2,8]]");
    service_release(t.s, 1);
    service_wait_requests(t.s, 8); /* two have: three */
    until_breakers(&t, "[.breakers[] | [.state, .active, .waiting]]", "[[\"closed\",3,6]]");
    EXPECT_INT(service_requests(t.s), 8);
    service_release(t.s, COUNT);
    finish_many(&t, COUNT, ids);
    EXPECT_INT(service_requests(t.s), 2 + COUNT);
    trouble_done(&t);
}

TEST(resilience_service, a_probe_that_fails_opens_it_again_and_each_break_costs_one_request)
{
    enum { COUNT = 10, BREAKS = 4 };
    trouble t;
    char *ids[COUNT];
    breaker_init(&t, 2, 2, 50);
    trouble_open(&t);
    service_on(t.s, "/pay", fails(503, 2 + BREAKS));
    service_on(t.s, "/pay", (service_answer){ .headers = json, .body = "{\"paid\":true}", .hold = true });
    deploy_call(&t, "pay", "/pay", NULL);
    start_many(&t, "pay", 1, ids); /* alone, until its two failures have opened it: none is under way beside the probe */
    service_wait_requests(t.s, 3);
    start_many(&t, "pay", COUNT - 1, ids + 1);
    service_wait_held(t.s, 1);
    until_breakers(&t, "[.breakers[] | [.state, .active]]", "[[\"half-open\",1]]");
    unsigned requests = service_requests(t.s);
    EXPECT_INT(service_at_once_max(t.s), 1);
    EXPECT_BREAKERS(&t, "[.breakers[] | .failed]", "[6]");
    EXPECT_INT(requests, 2 + BREAKS + 1);
    service_release(t.s, COUNT);
    finish_many(&t, COUNT, ids);
    EXPECT_INT(service_requests(t.s), 2 + BREAKS + COUNT);
    trouble_done(&t);
}

TEST(resilience_service, an_answer_that_refuses_the_call_is_no_failure_of_the_service)
{
    trouble t;
    breaker_init(&t, 1, 1, 3600000);
    trouble_open(&t);
    static const int statuses[] = { 400, 401, 403, 404, 409, 410, 422 };
    for (size_t i = 0; i < PW_LENGTH(statuses); i++)
        service_on(t.s, "/pay", fails(statuses[i], 1));
    deploy_call(&t, "pay", "/pay", NULL);
    for (size_t i = 0; i < PW_LENGTH(statuses); i++) {
        char *id = start(&t.f, "pay", NULL), *text = finish(&t.f, id);
        EXPECT_ASK(text, ".status", "\"faulted\"");
        pawl_free(text);
        pawl_free(id);
    }
    EXPECT_INT(service_requests(t.s), 7);
    EXPECT_BREAKERS(&t, "[.breakers[] | [.state, .failures]]", "[[\"closed\",0]]");
    trouble_done(&t);
}

TEST(resilience_service, a_task_may_fail_when_the_breaker_is_open_and_a_try_catches_it)
{
    trouble t;
    char text[2048];
    breaker_init(&t, 1, 1, 3600000);
    t.resilience.call_retries = 0;
    trouble_open(&t);
    service_on(t.s, "/pay", fails(503, 0));
    deploy_call(&t, "first", "/pay", NULL);
    (void)snprintf(text, sizeof text,
                   "  - all:\n"
                   "      try:\n"
                   "        - pay: {call: http, with: {method: post, endpoint: '%s', body: {}},"
                   " metadata: {pawl: {resilience: {circuitBreaker: {onOpen: fail}}}}}\n"
                   "      catch:\n"
                   "        errors: {with: {status: 503}}\n"
                   "        as: why\n"
                   "        do:\n"
                   "          - later: {set: {status: '${ $why.status }', type: '${ $why.type | split(\"/\") | last }'}}\n",
                   service_url(t.s, "/pay"));
    deploy(&t.f, "second", text);
    char *first = start(&t.f, "first", NULL), *ended = finish(&t.f, first);
    EXPECT_ASK(ended, ".status", "\"faulted\"");
    char *second = start(&t.f, "second", NULL), *caught = finish(&t.f, second);
    EXPECT_ASK(caught, "[.status, .output.status, .output.type]", "[\"completed\",503,\"communication\"]");
    EXPECT_INT(service_requests(t.s), 1);
    EXPECT_BREAKERS(&t, "[.breakers[] | [.state, .refused]]", "[[\"open\",1]]");
    pawl_free(caught);
    pawl_free(second);
    pawl_free(ended);
    pawl_free(first);
    trouble_done(&t);
}

TEST(resilience_service, each_service_has_a_breaker_of_its_own)
{
    trouble t;
    service *b = service_new();
    breaker_init(&t, 1, 1, 3600000);
    trouble_open(&t);
    service_on(t.s, "/a", fails(503, 0));
    service_on(b, "/b", answers(0));
    deploy_call(&t, "a", "/a", NULL);
    deploy_call_to(&t, "b", service_url(b, "/b"), NULL);
    deploy_call_to(&t, "named", service_url(b, "/b"), "{circuitBreaker: {name: billing}}");
    char *stuck = start(&t.f, "a", NULL);
    until_breakers(&t, "[.breakers[] | [.state, .waiting]]", "[[\"open\",1]]");
    for (int i = 0; i < 5; i++) {
        char *id = start(&t.f, i % 2 ? "b" : "named", NULL), *text = finish(&t.f, id);
        EXPECT_ASK(text, ".status", "\"completed\"");
        pawl_free(text);
        pawl_free(id);
    }
    EXPECT_INT(service_requests(t.s), 1);
    EXPECT_INT(service_requests(b), 5);
    EXPECT_BREAKERS(&t, "[.breakers[] | .state] | sort", "[\"closed\",\"closed\",\"open\"]");
    EXPECT_BREAKERS(&t, "[.breakers[] | select(.service == \"billing\") | .sent]", "[3]");
    pawl_free(stuck);
    trouble_done(&t);
    service_free(b);
}

/* ------------------------------------------------------------------ bulkhead, rate */

TEST(resilience_service, a_bulkhead_lets_so_many_calls_of_a_service_go_at_once)
{
    enum { COUNT = 9 };
    static const char *const resilience[] = { NULL, "{bulkhead: {maxConcurrent: 2}}" };
    static const unsigned most[] = { 3, 2 };
    for (size_t i = 0; i < PW_LENGTH(resilience); i++) {
        trouble t;
        char *ids[COUNT], expected[32];
        trouble_init(&t, "memory:");
        t.resilience.calls_at_once = 3;
        trouble_open(&t);
        service_on(t.s, "/pay", (service_answer){ .hold = true, .headers = json, .body = "1" });
        deploy_call(&t, "pay", "/pay", resilience[i]);
        start_many(&t, "pay", COUNT, ids);
        (void)snprintf(expected, sizeof expected, "[[%u,%u]]", most[i], COUNT - most[i]);
        until_breakers(&t, "[.breakers[] | [.active, .waiting]]", expected);
        service_wait_held(t.s, most[i]);
        EXPECT_INT(service_requests(t.s), most[i]);
        service_release(t.s, COUNT);
        finish_many(&t, COUNT, ids);
        EXPECT_INT(service_requests(t.s), COUNT);
        EXPECT_INT(service_at_once_max(t.s), most[i]);
        trouble_done(&t);
    }
}

TEST(resilience_service, a_rate_keeps_calls_of_a_service_apart)
{
    static const char *const resilience[] = { NULL, "{rateLimit: 0.001}" };
    for (size_t i = 0; i < PW_LENGTH(resilience); i++) {
        trouble t;
        char *ids[5];
        trouble_init(&t, "memory:");
        t.resilience.calls_per_second = i == 0 ? 0.001 : 0; /* one in a thousand seconds */
        trouble_open(&t);
        service_on(t.s, "/pay", answers(0));
        deploy_call(&t, "pay", "/pay", resilience[i]);
        start_many(&t, "pay", 5, ids);
        until_breakers(&t, "[.breakers[] | [.active, .waiting]]", "[[0,4]]");
        EXPECT_INT(service_requests(t.s), 1);
        until_same(&t, ask_count, NULL, ".statuses | [.completed, .waiting]", "[1,4]");
        for (int j = 0; j < 5; j++)
            pawl_free(ids[j]);
        trouble_done(&t);
    }
}

/* ------------------------------------------------------------------ pipeline configuration */

TEST(resilience_service, a_task_goes_before_the_configuration_and_that_before_the_defaults)
{
    static const struct {
        const char *what, *task, *function; /* resilience of the function's body, and of who calls it */
        int configured; /* -1: default */
        unsigned requests;
    } cases[] = {
        { "default", NULL, NULL, -1, 6 },
        { "configured", NULL, NULL, 1, 2 },
        { "none", NULL, NULL, 0, 1 },
        { "task over default", "{retry: {delay: {seconds: 1}, limit: {attempt: {count: 2}}}}", NULL, -1, 3 },
        { "task over configured", "{retry: {delay: {seconds: 1}, limit: {attempt: {count: 2}}}}", NULL, 9, 3 },
        { "named", "{retry: often}", NULL, 1, 8 },
        { "caller over configured", NULL, "{retry: often}", 1, 8 },
        { "body over caller", "{retry: {delay: {seconds: 1}, limit: {attempt: {count: 2}}}}", "{retry: often}", 1, 3 },
        { "another setting only", "{timeout: PT10S}", NULL, 1, 2 },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        trouble t;
        char text[2048];
        trouble_init(&t, "memory:");
        if (cases[i].configured >= 0)
            t.resilience.call_retries = (uint32_t)cases[i].configured;
        trouble_open(&t);
        service_on(t.s, "/pay", fails(503, 0));
        (void)snprintf(text, sizeof text,
                       "use:\n"
                       "  retries: {often: {delay: {seconds: 1}, limit: {attempt: {count: 7}}}}\n"
                       "  functions:\n"
                       "    pay: {call: http, with: {method: post, endpoint: '%s', body: {}}%s%s%s}\n"
                       "do:\n"
                       "  - now: {call: pay, with: {}%s%s%s}",
                       service_url(t.s, "/pay"), cases[i].task ? ", metadata: {pawl: {resilience: " : "",
                       cases[i].task ? cases[i].task : "", cases[i].task ? "}}" : "",
                       cases[i].function ? ", metadata: {pawl: {resilience: " : "",
                       cases[i].function ? cases[i].function : "", cases[i].function ? "}}" : "");
        deploy_text(&t, "pay", text);
        char *id = start(&t.f, "pay", NULL);
        (void)drive(&t, id);
        if (service_requests(t.s) != cases[i].requests)
            fail_msg("%s: %u requests, not %u", cases[i].what, service_requests(t.s), cases[i].requests);
        EXPECT_SHOW(&t, id, ".status", "\"faulted\"");
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(resilience_service, a_retry_of_a_task_has_exactly_the_delays_that_it_says)
{
    static const struct {
        const char *retry, *delays;
    } cases[] = {
        { "{delay: {seconds: 2}, limit: {attempt: {count: 3}}}", "[2000,2000,2000]" },
        { "{delay: {seconds: 2}, backoff: {constant: {}}, limit: {attempt: {count: 2}}}", "[2000,2000]" },
        { "{delay: {seconds: 2}, backoff: {linear: {}}, limit: {attempt: {count: 3}}}", "[2000,4000,6000]" },
        { "{delay: {seconds: 2}, backoff: {exponential: {}}, limit: {attempt: {count: 4}}}", "[2000,4000,8000,16000]" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        trouble t;
        char resilience[256];
        trouble_init(&t, "memory:");
        trouble_open(&t);
        service_on(t.s, "/pay", fails(502, 0));
        (void)snprintf(resilience, sizeof resilience, "{retry: %s}", cases[i].retry);
        deploy_call(&t, "pay", "/pay", resilience);
        char *id = start(&t.f, "pay", NULL);
        (void)drive(&t, id);
        EXPECT_LOG(&t, id, "[" FAILED "[] | select(.shouldRetry) | .retryDelayMs]", cases[i].delays);
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(resilience_service, a_retry_of_a_task_is_made_only_when_its_condition_holds)
{
    trouble t;
    trouble_init(&t, "memory:");
    trouble_open(&t);
    service_on(t.s, "/pay", fails(503, 1));
    service_on(t.s, "/pay", fails(500, 0));
    deploy_call(&t, "pay", "/pay",
                "{retry: {when: '${ .status == 503 }', delay: {seconds: 1}, limit: {attempt: {count: 9}}}}");
    char *id = start(&t.f, "pay", NULL);
    (void)drive(&t, id);
    EXPECT_INT(service_requests(t.s), 2);
    EXPECT_SHOW(&t, id, "[.status, .error.status]", "[\"faulted\",500]");
    pawl_free(id);
    trouble_done(&t);
}

TEST(resilience_service, a_breaker_of_a_task_has_its_own_numbers)
{
    trouble t;
    breaker_init(&t, 50, 50, 3600000);
    trouble_open(&t);
    service_on(t.s, "/pay", fails(503, 0));
    deploy_call(&t, "pay", "/pay",
                "{circuitBreaker: {name: careful, failures: 4, minimumThroughput: 4, window: PT1M, breakDuration: PT1H}}");
    char *id = start(&t.f, "pay", NULL);
    until_breakers(&t, "[.breakers[] | [.service, .state, .waiting]]", "[[\"careful\",\"open\",1]]");
    EXPECT_INT(service_requests(t.s), 4);
    pawl_free(id);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ the end of it */

TEST(resilience_service, when_all_attempts_are_used_up_the_last_error_is_the_workflow_s)
{
    trouble t;
    trouble_init(&t, NULL);
    t.resilience.call_retries = 2;
    trouble_open(&t);
    service_on(t.s, "/pay", fails(500, 2));
    service_on(t.s, "/pay", fails(503, 1));
    service_on(t.s, "/pay", answers(0));
    deploy_call(&t, "pay", "/pay", NULL);
    char *id = start(&t.f, "pay", NULL);
    (void)drive(&t, id);
    EXPECT_SHOW(&t, id, "[.status, .error.status, (.error.type | endswith(\"communication\"))]", "[\"faulted\",503,true]");
    EXPECT_TEXT(faults(&t, id), "external-call-fault server-error 3 incident open");
    EXPECT_CALLS(&t, id, "[.calls[] | [.task, .state, .attempt, .attempts]]", "[[\"/do/0/pay\",\"failed\",3,3]]");
    forward(&t, 3600000);
    EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
    EXPECT_INT(service_requests(t.s), 3); /* nothing retries it by itself any more */
    EXPECT_OK(pawl_change_with(t.f.p, id, PAWL_RETRY, "it is mended", NULL, NULL, &t.f.err), t.f.err);
    char *text = finish(&t.f, id);
    EXPECT_ASK(text, "[.status, .output.paid]", "[\"completed\",true]");
    EXPECT_INT(service_requests(t.s), 4);
    EXPECT_TEXT(key_of(&t, 3), key_of(&t, 0));
    EXPECT_TEXT(faults(&t, id), "external-call-fault server-error 3 incident retried");
    pawl_free(text);
    pawl_free(id);
    trouble_done(&t);
}

TEST_MAIN()
