/* metadata.pawl.resilience: what it is compiled to, and that its published schema says the same. */
#include <stdlib.h>
#include "fixture.h"
#include "base/json.h"
#include "expr/expr.h"

static const char call_of[] =
    "use:\n"
    "  retries: { std: { delay: PT2S, backoff: { exponential: {} }, limit: { attempt: { count: 4 } "
    "} } }\n"
    "  functions: { own: { do: [ { x: { set: { x: 1 } } } ] } }\n"
    "do: [ { c: { %s, metadata: { pawl: { resilience: %s } } } }, { d: { call: own } } ]\n";

static void load_call(loaded *l, const char *call, const char *resilience)
{
    char text[2048];
    int len = snprintf(text, sizeof text, HEAD);
    (void)snprintf(text + len, sizeof text - (size_t)len, call_of, call, resilience);
    load_text(l, pw_str_of(text));
}

#define HTTP "call: http, with: { method: get, endpoint: 'http://x.test/' }"

/* Of a call of HTTP, without a finding. */
static const pw_resilience *good(loaded *l, const char *resilience)
{
    load_call(l, HTTP, resilience);
    if (l->findings.count > 0)
        fail_msg("%s: %s", resilience, l->findings.items[0].message.ptr);
    const pw_resilience *out = task_at(l, "/do/0/c")->resilience;
    EXPECT(out != NULL);
    return out;
}

/* ---- compiled */

TEST(task_resilience, what_is_absent_is_as_configured)
{
    loaded l;
    const pw_resilience *r = good(&l, "{}");
    EXPECT(!r->retry && !r->timeout.given && !r->fail_when_open);
    EXPECT_INT(r->on_unknown, PW_ON_UNKNOWN_DEFAULT);
    EXPECT_INT(r->service.len, 0);
    EXPECT_INT(r->failures, 0);
    EXPECT_INT(r->throughput, 0);
    EXPECT_INT(r->window_ms, 0);
    EXPECT_INT(r->break_ms, 0);
    EXPECT_INT(r->at_once, 0);
    EXPECT(r->per_second == 0);
    EXPECT(task_at(&l, "/do/1/d")->resilience == NULL);
    unload(&l);
}

TEST(task_resilience, all_that_can_be_said)
{
    loaded l;
    const pw_resilience *r = good(&l, "{ retry: std, timeout: PT10S, circuitBreaker: { name: pay, "
                                      "failures: 3, minimumThroughput: 7, "
                                      "window: 20s, breakDuration: { minutes: 2 }, onOpen: fail }, "
                                      "bulkhead: { maxConcurrent: 8 }, "
                                      "rateLimit: 90/m, onUnknownOutcome: ask }");
    EXPECT_INT(r->retry->count, 4);
    EXPECT_INT(r->retry->backoff, PW_BACKOFF_EXPONENTIAL);
    EXPECT_INT(r->retry->delay.constant.ms, 2000);
    EXPECT(r->timeout.given && !r->timeout.tmpl);
    EXPECT_INT(r->timeout.constant.ms, 10000);
    EXPECT_STR(r->service, "pay");
    EXPECT_INT(r->failures, 3);
    EXPECT_INT(r->throughput, 7);
    EXPECT_INT(r->window_ms, 20000);
    EXPECT_INT(r->break_ms, 120000);
    EXPECT(r->fail_when_open);
    EXPECT_INT(r->at_once, 8);
    EXPECT(r->per_second == 1.5);
    EXPECT_INT(r->on_unknown, PW_ON_UNKNOWN_ASK);
    unload(&l);
}

TEST(task_resilience, each_choice_is_what_it_says)
{
    static const struct {
        const char *text;
        pw_on_unknown on_unknown;
    } unknown[] = { { "{ onUnknownOutcome: resend }", PW_ON_UNKNOWN_RESEND },
                    { "{ onUnknownOutcome: ask }", PW_ON_UNKNOWN_ASK },
                    { "{ onUnknownOutcome: fault }", PW_ON_UNKNOWN_FAULT } };
    loaded l;
    for (size_t i = 0; i < PW_LENGTH(unknown); i++) {
        EXPECT_INT(good(&l, unknown[i].text)->on_unknown, unknown[i].on_unknown);
        unload(&l);
    }
    EXPECT(!good(&l, "{ circuitBreaker: { onOpen: wait } }")->fail_when_open);
    unload(&l);
}

TEST(task_resilience, a_rate_is_calls_a_second_or_text_with_its_time)
{
    static const struct {
        const char *text;
        double per_second;
    } rates[] = { { "10", 10 },          { "0.5", 0.5 },     { "10/s", 10 },
                  { "2.5/s", 2.5 },      { "30/m", 0.5 },    { "1800/h", 0.5 },
                  { "\"1e3/s\"", 1000 }, { "1000000", 1e6 }, { "1/h", 1.0 / 3600 } };
    for (size_t i = 0; i < PW_LENGTH(rates); i++) {
        char text[64];
        loaded l;
        (void)snprintf(text, sizeof text, "{ rateLimit: %s }", rates[i].text);
        EXPECT(good(&l, text)->per_second == rates[i].per_second);
        unload(&l);
    }
}

TEST(task_resilience, the_retry_may_stand_there_itself_with_expressions)
{
    loaded l;
    const pw_resilience *r = good(
        &l,
        "{ retry: { when: '${ .status == 503 }', exceptWhen: '${ .detail == \"no\" }', "
        "delay: '${ \"PT\" + ($input.n | tostring) + \"S\" }', jitter: { from: PT0S, to: PT1S }, "
        "limit: { attempt: { count: 0, duration: PT3S }, duration: PT1H } }, "
        "timeout: '${ $input.limit }' }");
    EXPECT(r->retry->when && r->retry->except_when);
    EXPECT(r->retry->delay.tmpl != NULL);
    EXPECT_INT(r->retry->count, 0);
    EXPECT_INT(r->retry->attempt.constant.ms, 3000);
    EXPECT_INT(r->retry->total.constant.ms, 3600000);
    EXPECT(r->timeout.given && r->timeout.tmpl);
    unload(&l);
}

TEST(task_resilience, activities_and_functions_have_it_too)
{
    loaded l;
    load_call(&l, "call: work", "{ retry: std, timeout: PT1M }");
    EXPECT_INT(l.findings.count, 0);
    EXPECT_INT(task_at(&l, "/do/0/c")->kind, PW_TASK_ACTIVITY);
    EXPECT_INT(task_at(&l, "/do/0/c")->resilience->retry->count, 4);
    unload(&l);
    load_call(&l, "call: own", "{ retry: std, rateLimit: 5 }");
    EXPECT_INT(l.findings.count, 0);
    EXPECT_INT(task_at(&l, "/do/0/c")->kind, PW_TASK_FUNCTION);
    EXPECT(task_at(&l, "/do/0/c")->resilience->per_second == 5);
    EXPECT_INT(task_at(&l, "/do/0/c")->resilience->retry->count, 4);
    unload(&l);
    load_good(
        &l,
        "use:\n"
        "  retries: { std: { limit: { attempt: { count: 4 } } } }\n"
        "  functions:\n"
        "    pay: { " HTTP
        ", metadata: { pawl: { resilience: { retry: std, bulkhead: { maxConcurrent: 2 } } } } }\n"
        "do: [ { c: { call: pay } } ]\n");
    EXPECT_INT(task_at(&l, "/use/functions/pay")->resilience->at_once, 2);
    EXPECT_INT(task_at(&l, "/use/functions/pay")->resilience->retry->count, 4);
    EXPECT(task_at(&l, "/do/0/c")->resilience == NULL);
    unload(&l);
}

TEST(task_resilience, variables_around_the_task_are_known_in_it)
{
    loaded l;
    load_good(&l, "do:\n"
                  "  - each:\n"
                  "      for: { each: order, in: '${ .orders }' }\n"
                  "      do:\n"
                  "        - pay: { call: work, metadata: { pawl: { resilience: { timeout: '${ "
                  "$order.limit }' } } } }\n");
    EXPECT(task_at(&l, "/do/0/each/do/0/pay")->resilience->timeout.tmpl);
    unload(&l);
}

TEST(task_resilience, a_policy_that_it_names_is_used_and_not_said_twice)
{
    loaded l;
    load_text(&l, PW_LIT(HEAD "use: { retries: { always: {} } }\n"
                              "do: [ { c: { call: work, metadata: { pawl: { resilience: { retry: "
                              "always } } } } } ]\n"));
    EXPECT_INT(l.findings.count, 1); /* no limit; once, as it is not looked at as unused */
    EXPECT_INT(l.findings.items[0].kind, PAWL_FINDING_RETRY);
    EXPECT_STR(l.findings.items[0].pointer, "/use/retries/always");
    unload(&l);
}

TEST(task_resilience, the_findings_have_the_place_of_the_member)
{
    static const struct {
        const char *resilience, *pointer;
        pawl_finding_kind kind;
    } bad[] = {
        { "{ retry: other }", "/do/0/c/metadata/pawl/resilience/retry", PAWL_FINDING_UNKNOWN_NAME },
        { "{ retri: std }", "/do/0/c/metadata/pawl/resilience/retri", PAWL_FINDING_UNKNOWN_MEMBER },
        { "{ circuitBreaker: { window: P1Y } }",
          "/do/0/c/metadata/pawl/resilience/circuitBreaker/window", PAWL_FINDING_VALUE },
        { "{ circuitBreaker: { open: 1 } }", "/do/0/c/metadata/pawl/resilience/circuitBreaker/open",
          PAWL_FINDING_UNKNOWN_MEMBER },
        { "{ bulkhead: { maxConcurrent: 0 } }",
          "/do/0/c/metadata/pawl/resilience/bulkhead/maxConcurrent", PAWL_FINDING_VALUE },
        { "{ rateLimit: -1 }", "/do/0/c/metadata/pawl/resilience/rateLimit", PAWL_FINDING_VALUE },
        { "{ rateLimit: {} }", "/do/0/c/metadata/pawl/resilience/rateLimit", PAWL_FINDING_TYPE },
        { "{ onUnknownOutcome: [] }", "/do/0/c/metadata/pawl/resilience/onUnknownOutcome",
          PAWL_FINDING_TYPE },
        { "{ timeout: [] }", "/do/0/c/metadata/pawl/resilience/timeout", PAWL_FINDING_TYPE },
        { "5", "/do/0/c/metadata/pawl/resilience", PAWL_FINDING_TYPE },
    };
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        loaded l;
        load_call(&l, HTTP, bad[i].resilience);
        EXPECT_INT(l.findings.count, 1);
        EXPECT_INT(l.findings.items[0].kind, bad[i].kind);
        EXPECT_STR(l.findings.items[0].pointer, bad[i].pointer);
        unload(&l);
    }
}

TEST(task_resilience, the_portable_lint_says_that_only_pawl_reads_it)
{
    loaded l;
    memset(&l, 0, sizeof l);
    pw_arena_init(&l.arena, 0);
    l.findings.arena = &l.arena;
    l.findings.portable = true;
    EXPECT_OK(pw_lang_load(&l.program,
                           PW_LIT(HEAD "do:\n"
                                       "  - a: { " HTTP
                                       ", metadata: { pawl: { resilience: { timeout: PT1S } } } }\n"
                                       "  - b: { " HTTP " }\n"),
                           &l.findings, &l.err),
              l.err);
    char *text = findings_text(&l);
    EXPECT_TEXT(
        text, "3:85: warning: only pawl reads 'metadata.pawl': others ignore it without a word\n");
    free(text);
    unload(&l);
}

/* ---- the schema */

/* JSON, which is YAML as well; of a call of HTTP, where all of it may stand. */
typedef struct sample {
    const char *text;
    bool valid;
} sample;

static const sample samples[] = {
    { "{}", true },
    { "[]", false },
    { "null", false },
    { "{\"other\":1}", false },
    { "{\"retry\":\"std\"}", true },
    { "{\"retry\":1}", false },
    { "{\"retry\":{\"limit\":{\"attempt\":{\"count\":0}}}}", true },
    { "{\"retry\":{\"limit\":{\"attempt\":{\"count\":-1}}}}", false },
    { "{\"retry\":{\"limit\":{\"attempt\":{\"count\":2147483647,\"duration\":\"PT1S\"},"
      "\"duration\":\"PT1S\"}}}",
      true },
    { "{\"retry\":{\"limit\":{\"attempt\":{\"count\":2147483648}}}}", false },
    { "{\"retry\":{\"limit\":{\"attempt\":{\"count\":1},\"tries\":1}}}", false },
    { "{\"retry\":{\"limit\":{\"attempt\":{\"count\":1,\"tries\":1}}}}", false },
    { "{\"retry\":{\"when\":\"${ .status == 500 }\",\"exceptWhen\":\"${ false "
      "}\",\"limit\":{\"duration\":\"PT1S\"}}}",
      true },
    { "{\"retry\":{\"when\":5,\"limit\":{\"duration\":\"PT1S\"}}}", false },
    { "{\"retry\":{\"delay\":{\"seconds\":3},\"limit\":{\"duration\":\"PT1S\"}}}", true },
    { "{\"retry\":{\"delay\":{},\"limit\":{\"duration\":\"PT1S\"}}}", false },
    { "{\"retry\":{\"delay\":{\"weeks\":1},\"limit\":{\"duration\":\"PT1S\"}}}", false },
    { "{\"retry\":{\"delay\":{\"seconds\":-1},\"limit\":{\"duration\":\"PT1S\"}}}", false },
    { "{\"retry\":{\"delay\":{\"days\":1,\"hours\":1,\"minutes\":1,\"seconds\":\"${ 1 "
      "}\",\"milliseconds\":1},\"limit\":{\"duration\":\"PT1S\"}}}",
      true },
    { "{\"retry\":{\"delay\":{\"seconds\":\"1\"},\"limit\":{\"duration\":\"PT1S\"}}}", false },
    { "{\"retry\":{\"backoff\":{\"constant\":{}},\"limit\":{\"duration\":\"PT1S\"}}}", true },
    { "{\"retry\":{\"backoff\":{\"constant\":{\"factor\":2}},\"limit\":{\"duration\":\"PT1S\"}}}",
      false },
    { "{\"retry\":{\"backoff\":{\"linear\":{\"maxDelay\":\"PT1M\"}},\"limit\":{\"duration\":"
      "\"PT1S\"}}}",
      true },
    { "{\"retry\":{\"backoff\":{\"linear\":{\"factor\":2}},\"limit\":{\"duration\":\"PT1S\"}}}",
      false },
    { "{\"retry\":{\"backoff\":{\"exponential\":{\"maxDelay\":\"PT1M\",\"factor\":1000}},\"limit\":"
      "{\"duration\":\"PT1S\"}}}",
      true },
    { "{\"retry\":{\"backoff\":{\"exponential\":{\"factor\":0.5}},\"limit\":{\"duration\":\"PT1S\"}"
      "}}",
      false },
    { "{\"retry\":{\"backoff\":{},\"limit\":{\"duration\":\"PT1S\"}}}", false },
    { "{\"retry\":{\"backoff\":{\"linear\":{},\"constant\":{}},\"limit\":{\"duration\":\"PT1S\"}}}",
      false },
    { "{\"retry\":{\"jitter\":{\"from\":\"PT0S\",\"to\":\"PT1S\"},\"limit\":{\"duration\":\"PT1S\"}"
      "}}",
      true },
    { "{\"retry\":{\"jitter\":{\"from\":\"PT0S\"},\"limit\":{\"duration\":\"PT1S\"}}}", false },
    { "{\"retry\":{\"attempts\":3,\"limit\":{\"duration\":\"PT1S\"}}}", false },
    { "{\"timeout\":\"PT5S\"}", true },
    { "{\"timeout\":{\"minutes\":5}}", true },
    { "{\"timeout\":5}", false },
    { "{\"circuitBreaker\":{}}", true },
    { "{\"circuitBreaker\":{\"name\":\"pay\",\"failures\":1,\"minimumThroughput\":1,\"window\":"
      "\"PT1S\",\"breakDuration\":\"PT1S\",\"onOpen\":\"wait\"}}",
      true },
    { "{\"circuitBreaker\":{\"onOpen\":\"fail\"}}", true },
    { "{\"circuitBreaker\":{\"onOpen\":\"go\"}}", false },
    { "{\"circuitBreaker\":{\"name\":\"\"}}", false },
    { "{\"circuitBreaker\":{\"failures\":0}}", false },
    { "{\"circuitBreaker\":{\"failures\":1000000}}", true },
    { "{\"circuitBreaker\":{\"failures\":1000001}}", false },
    { "{\"circuitBreaker\":{\"failures\":1.5}}", false },
    { "{\"circuitBreaker\":{\"minimumThroughput\":\"5\"}}", false },
    { "{\"circuitBreaker\":{\"window\":5}}", false },
    { "{\"circuitBreaker\":{\"breakDuration\":[]}}", false },
    { "{\"circuitBreaker\":{\"openFor\":\"PT1S\"}}", false },
    { "{\"circuitBreaker\":\"pay\"}", false },
    { "{\"bulkhead\":{\"maxConcurrent\":1}}", true },
    { "{\"bulkhead\":{\"maxConcurrent\":0}}", false },
    { "{\"bulkhead\":{\"maxConcurrent\":1000001}}", false },
    { "{\"bulkhead\":{}}", false },
    { "{\"bulkhead\":{\"maxConcurrent\":1,\"queue\":1}}", false },
    { "{\"bulkhead\":5}", false },
    { "{\"rateLimit\":0.01}", true },
    { "{\"rateLimit\":0}", false },
    { "{\"rateLimit\":1000000}", true },
    { "{\"rateLimit\":1000001}", false },
    { "{\"rateLimit\":\"10/s\"}", true },
    { "{\"rateLimit\":\"1.5/m\"}", true },
    { "{\"rateLimit\":\"1e3/h\"}", true },
    { "{\"rateLimit\":\"10\"}", false },
    { "{\"rateLimit\":\"10/sec\"}", false },
    { "{\"rateLimit\":\"1/min\"}", false },
    { "{\"rateLimit\":\"-1/s\"}", false },
    { "{\"rateLimit\":\" 1/s\"}", false },
    { "{\"rateLimit\":\"/s\"}", false },
    { "{\"rateLimit\":{}}", false },
    { "{\"rateLimit\":true}", false },
    { "{\"onUnknownOutcome\":\"resend\"}", true },
    { "{\"onUnknownOutcome\":\"ask\"}", true },
    { "{\"onUnknownOutcome\":\"fault\"}", true },
    { "{\"onUnknownOutcome\":\"retry\"}", false },
};

/* What a schema cannot say, and the validator refuses: it is valid by the schema alone. */
static const char *const beyond[] = {
    "{\"retry\":\"nobody\"}",
    "{\"timeout\":\"soon\"}",
    "{\"circuitBreaker\":{\"window\":\"PT0S\"}}",
    "{\"circuitBreaker\":{\"window\":\"P1M\"}}",
    "{\"circuitBreaker\":{\"breakDuration\":\"${ .x }\"}}",
    "{\"circuitBreaker\":{\"name\":\"a\\nb\"}}",
    "{\"rateLimit\":\"0/s\"}",
    ("{\"retry\":{\"jitter\":{\"from\":\"PT2S\",\"to\":\"PT1S\"},"
     "\"limit\":{\"duration\":\"PT1S\"}}}"),
};

static bool fits_schema(const char *text)
{
    pw_arena arena;
    pawl_error err;
    pw_value schema, value;
    pw_schema_problem problem = { 0 };
    pw_arena_init(&arena, 0);
    char task[1024];
    (void)snprintf(task, sizeof task, "{\"resilience\":%s}", text);
    EXPECT_OK(pw_json_parse(&schema, pw_str_of(pw_lang_metadata_schema()), NULL, &arena, &err),
              err);
    EXPECT_OK(pw_json_parse(&value, pw_str_of(task), NULL, &arena, &err), err);
    pw_expr_machine *machine = pw_expr_machine_new(NULL);
    pw_schema_settings settings = pw_expr_schema_settings(machine);
    EXPECT_OK(pw_schema_check(&problem, schema, &settings, &arena, &err), err);
    pawl_code code = pw_schema_validate(&problem, schema, value, &settings, &arena, &err);
    EXPECT(code == PAWL_OK || code == PAWL_INVALID);
    pw_expr_machine_free(machine);
    pw_arena_done(&arena);
    return code == PAWL_OK;
}

TEST(task_resilience, the_schema_and_the_validator_say_the_same)
{
    for (size_t i = 0; i < PW_LENGTH(samples); i++) {
        loaded l;
        load_call(&l, HTTP, samples[i].text);
        bool loads = l.code == PAWL_OK, fits = fits_schema(samples[i].text);
        if (loads != samples[i].valid || fits != samples[i].valid)
            fail_msg("%s: the validator says %s, the schema %s", samples[i].text,
                     loads ? "yes" : l.err.message, fits ? "yes" : "no");
        unload(&l);
    }
}

TEST(task_resilience, what_a_schema_cannot_say_the_validator_refuses)
{
    for (size_t i = 0; i < PW_LENGTH(beyond); i++) {
        loaded l;
        load_call(&l, HTTP, beyond[i]);
        if (l.code != PAWL_INVALID || !fits_schema(beyond[i]))
            fail_msg("%s", beyond[i]);
        unload(&l);
    }
}

/* ---- the manual */

TEST(task_resilience, the_example_of_the_manual_is_valid_and_means_what_it_says)
{
    size_t len;
    char *manual = pw_test_read(MANUAL, &len);
    char *from = strstr(manual, "```yaml\ndocument:");
    EXPECT(from != NULL);
    from += strlen("```yaml\n");
    char *end = strstr(from, "```");
    EXPECT(end != NULL);
    loaded l;
    load_text(&l, (pw_str){ from, (size_t)(end - from) });
    if (l.findings.count > 0)
        fail_msg("line %u of the example: %s", l.findings.items[0].line,
                 l.findings.items[0].message.ptr);
    const pw_resilience *charge = task_at(&l, "/do/0/charge")->resilience,
                        *stamp = task_at(&l, "/do/1/stamp")->resilience;
    EXPECT_INT(charge->retry->count, 8);
    EXPECT_INT(charge->timeout.constant.ms, 20000);
    EXPECT_STR(charge->service, "pay");
    EXPECT_INT(charge->failures, 3);
    EXPECT_INT(charge->throughput, 6);
    EXPECT_INT(charge->window_ms, 60000);
    EXPECT_INT(charge->break_ms, 120000);
    EXPECT(!charge->fail_when_open);
    EXPECT_INT(charge->at_once, 10);
    EXPECT(charge->per_second == 50);
    EXPECT_INT(charge->on_unknown, PW_ON_UNKNOWN_ASK);
    EXPECT(stamp->retry->except_when && stamp->retry->total.constant.ms == 3600000);
    EXPECT_INT(task_at(&l, "/do/2/enter")->resilience->retry->count, 8);
    EXPECT_INT(task_at(&l, "/use/functions/book")->resilience->at_once, 4);
    unload(&l);
    free(manual);
}

TEST_MAIN()
