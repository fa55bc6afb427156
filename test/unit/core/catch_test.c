/* Errors, retries and timeouts. */
#include "fixture.h"

#define EXPECT_OK_OR_REFUSED(call)                                                                 \
    do {                                                                                           \
        pawl_code code_ = (call);                                                                  \
        if (code_ != PAWL_OK && code_ != PAWL_CORRUPT)                                             \
            fail_msg("code %d: %s at %s", code_, err.message, text);                               \
    } while (0)

#define TRY_HTTP(catch_)                                                                           \
    "  - safe:\n"                                                                                  \
    "      try:\n"                                                                                 \
    "        - get: { call: http, with: { method: get, endpoint: 'http://x/pets' } }\n"            \
    "      catch:\n" catch_

TEST(catch, an_error_is_caught_by_type_and_status_in_either_spelling)
{
    static const char *const types[] = {
        "https://serverlessworkflow.io/spec/1.0.0/errors/communication",
        "https://serverlessworkflow.io/dsl/errors/types/communication",
        "https://open-workflow-specification.org/spec/1.0.0/errors/communication",
        "https://open-workflow-specification.org/dsl/errors/types/communication",
    };
    for (size_t i = 0; i < PW_LENGTH(types); i++) {
        fixture f;
        char text[1024];
        (void)snprintf(
            text, sizeof text,
            TRY_HTTP("        errors: { with: { type: '%s', status: 404 } }\n"
                     "        as: problem\n"
                     "        do: [ { note: { set: '${ { where: $problem.instance } }' } } ]\n"),
            types[i]);
        fixture_open(&f, text);
        fixture_start(&f, "null");
        fixture_answer(&f, 2, 404, "text/plain", "no");
        EXPECT_OUTPUT(f, "{\"where\":\"/do/0/safe/try/0/get\"}");
        fixture_close(&f);
    }
}

TEST(catch, an_error_that_no_filter_matches_faults)
{
    fixture f;
    fixture_open(&f, TRY_HTTP("        errors: { with: { status: 500 } }\n"));
    fixture_start(&f, "null");
    fixture_answer(&f, 2, 404, "text/plain", "no such pet");
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "detail"),
                "the service answered 404: no such pet");
    EXPECT_STR(f.t.fault->kind, "external-call-fault");
    fixture_close(&f);
}

TEST(catch, an_empty_catch_goes_on_with_the_input)
{
    fixture f;
    fixture_open(&f, TRY_HTTP("        as: e\n") "  - after: { set: '${ . + {after: 1} }' }\n");
    fixture_start(&f, "{\"k\":1}");
    fixture_answer(&f, 2, 500, "text/plain", "");
    EXPECT_OUTPUT(f, "{\"k\":1,\"after\":1}");
    fixture_close(&f);
}

TEST(catch, when_and_except_when_decide_on_the_error)
{
    static const struct {
        int status;
        const char *result;
    } rows[] = { { 503, "completed" }, { 404, "faulted" }, { 501, "faulted" } };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        fixture_open(&f, TRY_HTTP("        when: .status >= 500\n"
                                  "        exceptWhen: $error.status == 501\n"));
        fixture_start(&f, "null");
        fixture_answer(&f, 2, rows[i].status, "text/plain", "");
        EXPECT_STATUS(f, rows[i].result);
        fixture_close(&f);
    }
}

TEST(catch, a_condition_that_fails_is_an_error_of_its_own)
{
    fixture f;
    fixture_open(&f, TRY_HTTP("        when: .status | keys\n"));
    fixture_start(&f, "null");
    fixture_answer(&f, 2, 500, "text/plain", "");
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "type"),
                "https://open-workflow-specification.org/spec/1.0.0/errors/expression");
    fixture_close(&f);
}

TEST(catch, retries_wait_longer_each_time_keep_the_key_and_then_the_handler_runs)
{
    fixture f;
    fixture_open(&f, TRY_HTTP("        retry:\n"
                              "          delay: { seconds: 3 }\n"
                              "          backoff: { exponential: {} }\n"
                              "          limit: { attempt: { count: 2 } }\n"
                              "        do: [ { gave: { set: { gave: up } } } ]\n"));
    fixture_start(&f, "{\"k\":1}");
    EXPECT_INT(f.t.call_count, 1);
    const char *key = fixture_text(&f, f.t.calls[0].key);
    uint64_t visit = f.t.calls[0].visit;
    static const int64_t due[] = { 3000, 3000 + 6000 };
    for (int i = 0; i < 2; i++) {
        fixture_reload(&f);
        fixture_answer(&f, visit, 503, "text/plain", "");
        EXPECT_STATUS(f, "waiting");
        EXPECT_INT(f.t.wake_at, T0 + due[i]);
        EXPECT_INT(f.t.bookmark_count, 1);
        EXPECT_STR(f.t.bookmarks[0].key, i == 0 ? "safe-1-retry-1" : "safe-1-retry-2");
        EXPECT_INT(f.t.outcomes[0].state, PW_CALL_FAILED);
        fixture_reload(&f);
        fixture_timer(&f, T0 + due[i]);
        EXPECT_INT(f.t.call_count, 1);
        EXPECT_STR(f.t.calls[0].key, key);
        EXPECT(f.t.calls[0].visit > visit);
        visit = f.t.calls[0].visit;
    }
    fixture_reload(&f);
    fixture_answer(&f, visit, 503, "text/plain", "");
    EXPECT_OUTPUT(f, "{\"gave\":\"up\"}");
    fixture_close(&f);
}

TEST(catch, a_retry_that_is_used_up_without_a_handler_lets_the_error_pass)
{
    fixture f;
    fixture_open(&f, TRY_HTTP("        retry: { limit: { attempt: { count: 0 } } }\n"));
    fixture_start(&f, "null");
    fixture_answer(&f, 2, 503, "text/plain", "");
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "status"), "503");
    fixture_close(&f);
}

TEST(catch, two_iterations_that_ask_the_same_have_different_keys)
{
    fixture f;
    fixture_open(
        &f,
        "  - all:\n"
        "      for: { in: '[1, 2]' }\n"
        "      do: [ { get: { call: http, with: { method: post, endpoint: 'http://x/y' } } } ]\n");
    fixture_start(&f, "null");
    const char *first = fixture_text(&f, f.t.calls[0].key);
    fixture_answer(&f, f.t.calls[0].visit, 200, "application/json", "{}");
    EXPECT_INT(f.t.call_count, 1);
    EXPECT(strcmp(first, fixture_text(&f, f.t.calls[0].key)) != 0);
    fixture_close(&f);
}

TEST(catch, a_raised_error_can_be_raised_again_whole)
{
    fixture f;
    fixture_open(&f,
                 "  - outer:\n"
                 "      try:\n"
                 "        - inner:\n"
                 "            try: [ { no: { raise: { error: { type: 'https://example.com/no', "
                 "status: 409, title: '${ \"no \" + .what }' } } } } ]\n"
                 "            catch: { do: [ { again: { raise: { error: '${ $error }' } } } ] }\n"
                 "      catch: { as: seen, do: [ { last: { set: '${ $seen }' } } ] }\n");
    fixture_start(&f, "{\"what\":\"way\"}");
    EXPECT_OUTPUT(f, "{\"type\":\"https://example.com/no\",\"status\":409,\"title\":\"no way\","
                     "\"instance\":\"/do/0/outer/try/0/inner/try/0/no\"}");
    fixture_close(&f);
}

TEST(catch, a_task_that_times_out_abandons_its_call_and_can_be_caught)
{
    fixture f;
    fixture_open(&f, "  - safe:\n"
                     "      try:\n"
                     "        - get: { call: http, with: { method: get, endpoint: 'http://x/' }, "
                     "timeout: { after: PT5S } }\n"
                     "      catch: { errors: { with: { status: 408 } }, do: [ { late: { set: { "
                     "late: true } } } ] }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.wake_at, 0);
    EXPECT_INT(f.t.timer_at, T0 + 5000);
    fixture_reload(&f);
    fixture_timer(&f, T0 + 5000);
    EXPECT_OUTPUT(f, "{\"late\":true}");
    EXPECT_INT(f.t.outcome_count, 1);
    EXPECT_INT(f.t.outcomes[0].state, PW_CALL_ABANDONED);
    fixture_answer(&f, 2, 200, "application/json", "{}");
    EXPECT_TEXT(fixture_entries(&f), "call.late");
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

TEST(catch, a_scope_that_times_out_lets_go_of_what_is_inside)
{
    fixture f;
    fixture_open(&f, "  - safe:\n"
                     "      try:\n"
                     "        - scope: { do: [ { job: { call: slow } } ], timeout: { after: PT5S } "
                     "}\n"
                     "      catch: { do: [ { late: { set: '${ $error.status }' } } ] }\n");
    fixture_start(&f, "null");
    uint64_t job = f.t.work[0].visit;
    fixture_reload(&f);
    fixture_timer(&f, T0 + 5000);
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "408");
    EXPECT_INT(f.t.work_count, 1);
    EXPECT(f.t.work[0].cancel);
    EXPECT_INT(f.t.work[0].visit, job);
    fixture_close(&f);
}

TEST(catch, the_limit_of_one_attempt_counts_as_a_failed_attempt)
{
    fixture f;
    fixture_open(
        &f,
        TRY_HTTP(
            "        retry: { delay: PT1S, limit: { attempt: { count: 1, duration: PT10S } } }\n"));
    fixture_start(&f, "null");
    EXPECT_INT(f.t.timer_at, T0 + 10000);
    fixture_timer(&f, T0 + 10000);
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.wake_at, T0 + 11000);
    EXPECT_INT(f.t.outcomes[0].state, PW_CALL_ABANDONED);
    fixture_timer(&f, T0 + 11000);
    EXPECT_INT(f.t.call_count, 1);
    EXPECT_INT(f.t.timer_at, T0 + 21000);
    fixture_timer(&f, T0 + 21000);
    EXPECT_STATUS(f, "faulted");
    fixture_close(&f);
}

TEST(catch, the_workflow_s_own_timeout_faults_it)
{
    fixture f;
    fixture_open(&f, "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\n"
                     "timeout: { after: PT1M }\n"
                     "do:\n"
                     "  - ask: { call: userTask }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.wake_at, T0 + 60000);
    fixture_reload(&f);
    fixture_timer(&f, T0 + 60000);
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "status"), "408");
    EXPECT_INT(f.t.bookmark_end_count, 0); /* it may be answered, and goes on when the incident is over */
    fixture_close(&f);
}

TEST(catch, timers_do_not_fire_while_suspended_and_are_overdue_after)
{
    fixture f;
    fixture_open(&f, "  - nap: { wait: PT1M }\n");
    fixture_start(&f, "null");
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    EXPECT(f.t.timer_at == PW_WAKE_NEVER);
    fixture_reload(&f);
    fixture_timer(&f, T0 + 120000);
    EXPECT(!f.t.changed);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ http */

TEST(http, a_request_is_rendered_from_templates_query_headers_and_body)
{
    fixture f;
    fixture_open(&f, "  - post:\n"
                     "      call: http\n"
                     "      with:\n"
                     "        method: post\n"
                     "        endpoint: { uri: 'http://x/orders/{id}', authentication: { basic: { "
                     "username: ann, password: s3cret } } }\n"
                     "        query: { q: 'a b&c', n: '${ .n }' }\n"
                     "        headers: { X-One: '${ .id }' }\n"
                     "        body: { n: '${ .n }', list: [ 1, '${ .id }' ] }\n");
    fixture_start(&f, "{\"id\":\"o/1 é\",\"n\":1.50}");
    EXPECT_STR(
        f.t.calls[0].request,
        "{\"method\":\"POST\",\"uri\":\"http://x/orders/o%2F1%20%C3%A9?q=a%20b%26c&n=1.50\","
        "\"headers\":[[\"X-One\",\"o/1 é\"],[\"Authorization\",\"Basic YW5uOnMzY3JldA==\"],"
        "[\"Content-Type\",\"application/json\"],[\"Accept\",\"application/json, */*;q=0.5\"]],"
        "\"body\":\"{\\\"n\\\":1.50,\\\"list\\\":[1,\\\"o/1 é\\\"]}\"}");
    EXPECT_STR(f.t.calls[0].endpoint, "http://x/orders/o%2F1%20%C3%A9");
    EXPECT_STR(f.t.calls[0].method, "POST");
    EXPECT_INT(f.t.wake_at, 0);
    pw_call_request request;
    pawl_error err;
    EXPECT_OK(pw_call_request_parse(&request, f.t.calls[0].request, &f.arena, &err), err);
    EXPECT_INT(request.header_count, 4);
    EXPECT_STR(request.headers[1].name, "Authorization");
    fixture_close(&f);
}

TEST(http, answers_become_json_text_or_base64_by_their_type)
{
    static const struct {
        const char *output, *type, *body, *expected;
    } rows[] = {
        { "content", "application/json; charset=utf-8", "{\"a\": 1.0}", "{\"a\":1.0}" },
        { "content", "application/problem+json", "[1]", "[1]" },
        { "content", "text/plain", "hi", "\"hi\"" },
        { "content", "application/octet-stream", "hi", "\"aGk=\"" },
        { "content", "application/json", "", "null" },
        { "raw", "application/json", "{}", "\"e30=\"" },
        { "response", "text/plain", "hi",
          "{\"request\":{\"method\":\"GET\",\"uri\":\"http://x/"
          "\",\"headers\":{\"Accept\":\"application/json, "
          "*/*;q=0.5\"}},\"statusCode\":200,\"headers\":{\"content-type\":\"text/"
          "plain\"},\"content\":\"hi\"}" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        char text[256];
        (void)snprintf(
            text, sizeof text,
            "  - get: { call: http, with: { method: get, endpoint: 'http://x/', output: %s } }\n",
            rows[i].output);
        fixture_open(&f, text);
        fixture_start(&f, "null");
        fixture_reload(&f);
        fixture_answer(&f, 1, 200, rows[i].type, rows[i].body);
        EXPECT_OUTPUT(f, rows[i].expected);
        EXPECT_INT(f.t.outcomes[0].state, PW_CALL_COMPLETED);
        fixture_close(&f);
    }
}

TEST(http, a_malformed_answer_no_answer_and_a_redirect_are_communication_errors)
{
    static const struct {
        int status;
        const char *type, *body, *expected, *detail;
    } rows[] = {
        { 200, "application/json", "{", "502",
          "its content type says JSON, but JSON line 1, column 2: " },
        { 302, "text/plain", "", "302", "the service answered 302" },
        { 0, "", "connection refused by 127.0.0.1:9", "500", "connection refused by 127.0.0.1:9" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        fixture_open(&f, "  - get: { call: http, with: { method: get, endpoint: 'http://x/' } }\n");
        fixture_start(&f, "null");
        fixture_answer(&f, 1, rows[i].status, rows[i].type, rows[i].body);
        EXPECT_STATUS(f, "faulted");
        EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "status"), rows[i].expected);
        EXPECT_CONTAINS(fixture_member(&f, fixture_text(&f, f.t.error), "detail"), rows[i].detail);
        fixture_close(&f);
    }
}

TEST(http, a_request_that_cannot_be_made_is_an_error_before_anything_is_sent)
{
    static const struct {
        const char *with, *input, *detail;
    } rows[] = {
        { "{ method: get, endpoint: 'http://x/{a}' }", "{\"a\":[1]}",
          "only texts, numbers and booleans can stand in an endpoint, not 'a'" },
        { "{ method: get, endpoint: '${ .a }' }", "{\"a\":\"ftp://x/\"}",
          "the endpoint must begin with http:// or https://, not 'ftp://x/'" },
        { "{ method: get, endpoint: '${ .a }' }", "{\"a\":3}",
          "the endpoint must be a text, not 'number'" },
        { "{ method: get, endpoint: 'http://x/', headers: { X-A: '${ .a }' } }",
          "{\"a\":\"b\\r\\nEvil: 1\"}", "not a header that can be sent: 'X-A'" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        char text[256];
        (void)snprintf(text, sizeof text, "  - get: { call: http, with: %s }\n", rows[i].with);
        fixture_open(&f, text);
        fixture_start(&f, rows[i].input);
        EXPECT_STATUS(f, "faulted");
        EXPECT_INT(f.t.call_count, 0);
        EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "detail"), rows[i].detail);
        fixture_close(&f);
    }
}

/* ------------------------------------------------------------------ stored state */

TEST(state, text_that_does_not_fit_the_program_is_corrupt_never_a_crash)
{
    fixture f;
    fixture_open(
        &f,
        "  - a: { for: { in: '[1,2]' }, do: [ { w: { call: work, with: { x: 1 } } } ] }\n"
        "  - b: { fork: { branches: [ { c: { wait: PT1S } }, { d: { call: userTask } } ] } }\n");
    fixture_start(&f, "{\"k\":1}");
    const char *good = fixture_text(&f, f.t.state_text);
    size_t len = strlen(good);
    pw_state *state;
    pawl_error err;
    EXPECT_OK(pw_state_parse(&state, pw_str_of(good), f.program, NULL, &f.arena, &err), err);
    for (size_t cut = 0; cut < len; cut++)
        EXPECT_INT(pw_state_parse(&state, (pw_str){ good, cut }, f.program, NULL, &f.arena, &err),
                   PAWL_CORRUPT);
    /* every byte replaced by a few others: read or refused, and what is read can take a step */
    char *text = (char *)pw_arena_alloc(&f.arena, len + 1);
    for (size_t i = 0; i < len; i++)
        for (const char *c = "0979\"-{}[xn,"; *c; c++) {
            memcpy(text, good, len + 1);
            text[i] = *c;
            pw_arena_mark mark = pw_arena_at(&f.arena);
            if (pw_state_parse(&f.state, (pw_str){ text, len }, f.program, NULL, &f.arena, &err) ==
                PAWL_OK) {
                pw_event event = { .kind = PW_EVENT_TIMER, .now_ms = INT64_MAX / 4, .seed = 1 };
                pw_transition t;
                EXPECT_OK_OR_REFUSED(pw_core_step(&t, f.program, f.state, &f.identity, &event,
                                                  &f.settings, f.machine, &f.arena, &err));
                event.kind = PW_EVENT_CANCEL;
                EXPECT_OK_OR_REFUSED(pw_core_step(&t, f.program, f.state, &f.identity, &event,
                                                  &f.settings, f.machine, &f.arena, &err));
            }
            pw_arena_rewind(&f.arena, mark);
        }
    fixture_close(&f);
}

TEST(state, data_that_is_passed_on_is_stored_once)
{
    fixture f;
    fixture_open(&f, "  - a: { do: [ { w: { call: work } } ] }\n");
    fixture_start(&f, "{\"only\":\"once\"}");
    const char *text = fixture_text(&f, f.t.state_text);
    const char *first =
        strstr(text, "once"); /* the raw input; the root, `a` and `w` have the same */
    EXPECT(first && !strstr(first + 1, "once"));
    pw_state *state;
    pawl_error err;
    EXPECT_OK(pw_state_parse(&state, pw_str_of(text), f.program, NULL, &f.arena, &err), err);
    f.state = state;
    fixture_result(&f, 2, 1, "{\"got\":1}");
    EXPECT_STATUS(f, "completed");
    EXPECT_STR(f.t.output, "{\"got\":1}");
    /* as it was written before the root knew the raw input */
    pw_str old = PW_LIT("{\"f\":1,\"s\":\"waiting\",\"v\":2,\"t\":1000,\"i\":{\"only\":\"once\"},"
                        "\"x\":null,\"r\":{\"o\":1,\"s\":1000,\"in\":{\"only\":\"once\"}}}");
    EXPECT_OK(pw_state_parse(&state, old, f.program, NULL, &f.arena, &err), err);
    fixture_close(&f);
}

TEST(state, a_newer_format_is_refused_by_name)
{
    fixture f;
    fixture_open(&f, "  - w: { wait: PT1S }\n");
    fixture_start(&f, "null");
    pw_state *state;
    pawl_error err;
    EXPECT_INT(pw_state_parse(&state, PW_LIT("{\"f\":99}"), f.program, NULL, &f.arena, &err),
               PAWL_SCHEMA);
    EXPECT_TEXT(err.message,
                "stored state has format 99, this program knows 5: use a newer program");
    fixture_close(&f);
}

TEST(state, a_copy_shares_nothing_with_the_old_arena)
{
    fixture f;
    fixture_open(
        &f,
        "  - a: { for: { in: .list }, do: [ { w: { call: work, with: { all: '${ . }' } } } ] }\n");
    fixture_start(&f, "{\"list\":[{\"deep\":[\"text\",1.50]},2],\"k\":\"v\"}");
    pw_arena other;
    pw_arena_init(&other, 0);
    pw_state *copy;
    pawl_error err;
    EXPECT_OK(pw_state_copy(&copy, f.state, &other, &err), err);
    const char *before = fixture_text(&f, f.t.state_text);
    char expected[2048];
    (void)snprintf(expected, sizeof expected, "%s", before);
    pw_arena_done(&f.arena);
    pw_arena_init(&f.arena, 0);
    f.state = copy;
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "look");
    f.state = copy;
    fixture_result(&f, 2, 1, "{\"list\":1}");
    EXPECT_INT(f.t.work_count, 1);
    EXPECT_STR(f.t.work[0].input, "{\"all\":{\"list\":1}}");
    pw_arena_done(&other);
    fixture_close(&f);
}

TEST(state, running_out_of_memory_at_any_allocation_leaves_the_old_state)
{
    fixture f;
    fixture_open(&f, "  - a: { set: '${ { n: (.n + 1), l: [range(50)] } }' }\n  - w: { call: work, "
                     "with: { n: '${ .n }' } }\n");
    unsigned failures = 0;
    for (uint64_t n = 1;; n++) {
        pw_arena arena;
        pw_arena_init(&arena, 0);
        pw_event event = { .kind = PW_EVENT_START, .now_ms = T0, .seed = 1, .payload = pw_null() };
        pw_transition t;
        pawl_error err;
        f.identity.sequence = 1;
        pw_alloc_fail_after(n);
        pawl_code code = pw_core_step(&t, f.program, NULL, &f.identity, &event, &f.settings,
                                      f.machine, &arena, &err);
        pw_alloc_fail_after(0);
        if (code == PAWL_OK) {
            EXPECT_INT(t.work_count, 1);
            pw_arena_done(&arena);
            break;
        }
        EXPECT_INT(code, PAWL_NO_MEMORY);
        failures++;
        pw_arena_done(&arena);
        EXPECT(n < 10000);
    }
    EXPECT(failures > 0);
    fixture_close(&f);
}

TEST_MAIN()
