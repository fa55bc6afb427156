/* undo_test.c - what leaves rows by which it is undone, with what, and where nobody knows whether
 * it was done. */
#include "plan_bench.h"
#include "core/step.h"

/* ------------------------------------------------------------------ what is registered */

TEST(undo, a_task_that_ends_leaves_a_row_with_the_arguments_of_what_undoes_it)
{
    bench b;
    start(&b, ON("") "do:\n  - a: " DOES("a") "\n");
    pw_str key = pw_arena_str(&b.f.arena, b.f.t.work[0].key);
    result(&b, 1, "{\"id\":41}");
    EXPECT_STATUS(b.f, "completed");
    EXPECT_INT(b.f.t.undo_count, 1);
    const pw_undo_step *row = b.f.t.undo;
    EXPECT_INT(row->ordinal, 1);
    EXPECT_STR(row->task, "/do/0/a");
    EXPECT_INT(row->visit, 1);
    EXPECT(pw_str_eq(row->key, key));
    EXPECT_STR(row->branch, "");
    EXPECT_STR(row->arguments, "{\"of\":41}");
    EXPECT_STR(row->error, "");
    EXPECT_INT(row->state, PW_UNDO_REGISTERED);
    EXPECT_INT(pw_state_undo_count(b.f.state), 1);
    EXPECT_TEXT(fixture_entries(&b.f), "task.completed /do/0/a; instance.completed");
    stop(&b);
}

TEST(undo, an_if_that_is_false_leaves_no_row)
{
    bench b;
    start(&b, ON("") "do:\n  - a: { call: do-a, metadata: { pawl: { compensate: { call: un-a, if: "
                     "'${ .held }' } } } }\n"
                     "  - b: { call: do-b, metadata: { pawl: { compensate: { call: un-b, if: '${ "
                     ".held and $input.k == 1 }' } } } }\n");
    result(&b, 1, "{\"held\":false,\"k\":2}");
    EXPECT_TEXT(rows(&b), "");
    result(&b, 2, "{\"held\":true}");
    EXPECT_STATUS(b.f, "completed");
    EXPECT_TEXT(rows(&b), "");
    stop(&b);
    start(&b, ON("") "do:\n  - b: { call: do-b, metadata: { pawl: { compensate: { call: un-b, if: "
                     "'${ .held and $input.k == 1 }' } } } }\n");
    result(&b, 1, "{\"held\":true}");
    EXPECT_TEXT(rows(&b), "1 /do/0/b registered {}");
    stop(&b);
}

TEST(undo, an_error_in_the_arguments_is_the_rows_and_not_the_tasks)
{
    bench b;
    start(&b, ON("") "do:\n  - a: { call: do-a, metadata: { pawl: { compensate: { call: un-a, "
                     "with: { x: '${ .id.y }' } } } } }\n");
    result(&b, 1, "{\"id\":41}");
    EXPECT_STATUS(b.f, "completed");
    EXPECT_STR(b.f.t.undo->arguments, "");
    EXPECT_TEXT(fixture_member(&b.f, fixture_text(&b.f, b.f.t.undo->error), "title"),
                "an expression failed");
    EXPECT_TEXT(fixture_entries(&b.f),
                "compensation.registered /do/0/a; task.completed /do/0/a; instance.completed");
    const char *entry = fixture_entry_text(&b.f, 0);
    EXPECT_TEXT(fixture_member(&b.f, entry, "state"), "registered");
    EXPECT_TEXT(fixture_member(&b.f, entry, "ordinal"), "1");
    EXPECT_CONTAINS(fixture_member(&b.f, entry, "error"), "an expression failed");
    stop(&b);
}

TEST(undo, a_task_done_again_under_the_same_key_moves_its_row)
{
    bench b;
    start(&b, ON("") "do:\n  - t:\n      try:\n        - a: " DOES("a") "\n        - b: " DOES(
                  "b") "\n"
                       "        - c: { call: do-c }\n"
                       "      catch: { retry: { limit: { attempt: { count: 1 } } } }\n");
    result(&b, 2, "{\"id\":41}");
    result(&b, 3, "{\"id\":42}");
    failed(&b, 4);
    EXPECT_TEXT(
        rows(&b),
        "1 /do/0/t/try/0/a registered {\"of\":41}; 2 /do/0/t/try/1/b registered {\"of\":42}");
    result(&b, 5, "{\"id\":43}");
    EXPECT_TEXT(
        rows(&b),
        "2 /do/0/t/try/1/b registered {\"of\":42}; 3 /do/0/t/try/0/a registered {\"of\":43}");
    result(&b, 6, "{\"id\":44}");
    EXPECT_TEXT(
        rows(&b),
        "3 /do/0/t/try/0/a registered {\"of\":43}; 4 /do/0/t/try/1/b registered {\"of\":44}");
    EXPECT_INT(pw_state_undo_count(b.f.state), 4);
    stop(&b);
}

TEST(undo, a_turn_of_a_loop_leaves_one_row_and_nothing_in_the_state)
{
    bench b;
    start(&b, ON("") "do:\n  - all:\n      for: { in: '[range(20)]' }\n      do: [ { a: " DOES(
                  "a") " } ]\n"
                       "  - last: { call: do-last }\n");
    size_t before = 0;
    for (uint64_t visit = 2; visit < 22; visit++) {
        result(&b, visit, "{\"id\":1}");
        EXPECT_INT(b.f.t.undo_count, 1);
        if (visit == 12)
            before = b.f.t.state_text.len;
        if (visit > 12 && visit < 21) /* the path of the frame has more or fewer digits */
            EXPECT(b.f.t.state_text.len < before + 3 && b.f.t.state_text.len > before - 3);
    }
    EXPECT_INT(b.count, 20);
    EXPECT_INT(pw_state_undo_count(b.f.state), 20);
    stop(&b);
}

TEST(undo, the_call_of_a_function_that_is_undone_as_a_whole_holds)
{
    bench b;
    start(&b, ON("") "use: { functions: { f: { do: [ { a: " DOES("a") " }, { b: " DOES(
                  "b") " } ] } } }\n"
                       "do:\n  - whole: { call: f, " UNDO("un-f") " }\n  - parts: { call: f }\n");
    result(&b, 3, "{\"id\":41}");
    EXPECT_TEXT(rows(&b), "");
    result(&b, 4, "{\"id\":42}");
    EXPECT_TEXT(rows(&b), "1 /do/0/whole registered {\"of\":42}");
    result(&b, 7, "{\"id\":43}");
    EXPECT_TEXT(
        rows(&b),
        "1 /do/0/whole registered {\"of\":42}; 2 /use/functions/f/do/0/a registered {\"of\":43}");
    stop(&b);
}

TEST(undo, half_a_function_that_is_undone_as_a_whole_is_of_unknown_outcome)
{
    bench b;
    start(&b, ON("") "use: { functions: { f: { do: [ { a: { call: do-a } }, { b: { call: do-b } } "
                     "] } } }\n"
                     "do:\n  - t:\n      try: [ { whole: { call: f, " UNDO(
                         "un-f") " } } ]\n      catch: {}\n");
    failed(&b, 4);
    EXPECT_TEXT(rows(&b), ""); /* nothing of it was done */
    stop(&b);
    start(&b, ON("") "use: { functions: { f: { do: [ { a: { call: do-a } }, { b: { call: do-b } } "
                     "] } } }\n"
                     "do:\n  - t:\n      try: [ { whole: { call: f, " UNDO(
                         "un-f") " } } ]\n      catch: {}\n");
    result(&b, 4, "{}");
    failed(&b, 5);
    EXPECT_STATUS(b.f, "completed");
    EXPECT_TEXT(rows(&b), "1 /do/0/t/try/0/whole unknown {\"of\":null}");
    stop(&b);
}

TEST(undo, half_a_function_is_of_unknown_outcome_also_while_a_call_of_it_is_in_flight)
{
    bench b;
    start(&b, ON("") "use: { functions: { f: { do: [ { a: { call: do-a } } ] } } }\ndo:\n  - "
                     "whole: { call: f, " UNDO("un-f") " }\n");
    command(&b, PW_EVENT_COMPENSATE);
    EXPECT_STATUS(b.f, "compensating");
    EXPECT_TEXT(rows(&b), "1 /do/0/whole unknown {\"of\":null}");
    stop(&b);
}

TEST(undo, a_call_that_was_not_committed_was_not_made)
{
    bench b;
    start(&b, ON("") "do:\n  - t:\n      try: [ { both: { fork: { branches: [ { a: " DOES(
                  "a") " }, "
                       "{ b: { raise: { error: { type: 'x:e', status: 400 } } } } ] } } } ]\n      "
                       "catch: {}\n  - c: { call: do-c }\n");
    EXPECT_TEXT(work(&b), "do-c 5 {}");
    EXPECT_TEXT(rows(&b), "");
    stop(&b);
}

TEST(undo, no_row_is_replaced_while_something_is_undone)
{
    bench b;
    start(&b, HEAD
          " }\ndo:\n  - both:\n      fork:\n        branches:\n"
          "          - x: { try: [ { a: " DOES("a") " }, { c: { call: do-c } } ], catch: { retry: "
                                                    "{ limit: { attempt: { count: 1 } } } } }\n"
                                                    "          - y: { do: [ { w: { call: do-w } }, "
                                                    "{ undo: { call: compensate } } ] }\n");
    EXPECT_TEXT(work(&b), "do-a 4 {}; do-w 5 {}");
    result(&b, 4, "{\"id\":1}");
    result(&b, 5, "{}");
    plans(&b);
    EXPECT_TEXT(work(&b), "un-a 8 {\"of\":1}");
    failed(&b, 6);
    EXPECT_TEXT(work(&b), "do-a 9 {}");
    result(&b, 9, "{\"id\":2}");
    EXPECT_TEXT(rows(&b), "1 /do/0/both/fork/branches/0/x/try/0/a running {\"of\":1}; "
                          "2 /do/0/both/fork/branches/0/x/try/0/a registered {\"of\":2}");
    result(&b, 8, "null");
    EXPECT_TEXT(rows(&b), "1 /do/0/both/fork/branches/0/x/try/0/a done {\"of\":1}; "
                          "2 /do/0/both/fork/branches/0/x/try/0/a registered {\"of\":2}");
    EXPECT(!plan(&b)); /* what was done since is not of this plan */
    stop(&b);
}

TEST(undo, a_row_says_in_which_branches_of_which_forks_it_was)
{
    bench b;
    start(&b, ON("") "do:\n  - both:\n      fork:\n        branches:\n          - x: " DOES(
                  "x") "\n"
                       "          - y: { do: [ { in: { fork: { branches: [ { p: " DOES(
                           "p") " }, { q: " DOES("q") " } ] } } } ] }\n"
                                                      "  - after: " DOES("after") "\n");
    result(&b, 2, "{\"id\":1}");
    EXPECT_STR(b.f.t.undo->branch, "1.0");
    result(&b, 5, "{\"id\":2}");
    EXPECT_STR(b.f.t.undo->branch, "1.1/4.0");
    result(&b, 6, "{\"id\":3}");
    EXPECT_STR(b.f.t.undo->branch, "1.1/4.1");
    result(&b, 7, "{\"id\":4}");
    EXPECT_STR(b.f.t.undo->branch, "");
    stop(&b);
}

TEST(undo, of_an_http_call_method_endpoint_headers_query_and_body_are_kept_but_no_secret)
{
    bench b;
    start(&b, ON("") "do:\n  - a:\n      call: do-a\n      metadata:\n        pawl:\n          "
                     "compensate:\n"
                     "            call: http\n            with:\n              method: delete\n"
                     "              endpoint: { uri: 'http://x.test/{id}/y', authentication: { "
                     "bearer: { token: '${ \"t\" + \"1\" }' } } }\n"
                     "              headers: { X-Of: '${ $input.k | tostring }' }\n              "
                     "query: { q: '${ .id + 1 }' }\n"
                     "              body: { all: '${ . }' }\n");
    result(&b, 1, "{\"id\":41}");
    EXPECT_STR(
        b.rows[0].arguments,
        "{\"method\":\"DELETE\",\"endpoint\":\"http://x.test/41/y\",\"headers\":{\"X-Of\":\"1\"},"
        "\"query\":{\"q\":42},\"body\":{\"all\":{\"id\":41}}}");
    compensate(&b);
    EXPECT_INT(b.f.t.call_count, 1);
    EXPECT_STR(b.f.t.calls[0].method, "DELETE");
    EXPECT_STR(b.f.t.calls[0].endpoint, "http://x.test/41/y");
    EXPECT_STR(
        b.f.t.calls[0].request,
        "{\"method\":\"DELETE\",\"uri\":\"http://x.test/41/y?q=42\",\"headers\":[[\"X-Of\",\"1\"],"
        "[\"Authorization\",\"Bearer "
        "t1\"],[\"Content-Type\",\"application/json\"],[\"Accept\",\"application/json, "
        "*/*;q=0.5\"]],\"body\":\"{\\\"all\\\":{\\\"id\\\":41}}\"}");
    fixture_answer(&b.f, 3, 204, "", "");
    keep(&b);
    EXPECT_STATUS(b.f, "compensated");
    stop(&b);
}

TEST(undo, what_is_in_braces_in_an_argument_is_no_template_any_more)
{
    bench b;
    start(&b, ON("") "do:\n  - a:\n      call: do-a\n      metadata: { pawl: { compensate: { call: "
                     "http, with: { method: delete, "
                     "endpoint: '${ .url }' } } } }\n");
    result(&b, 1, "{\"url\":\"http://x.test/{id}\"}");
    compensate(&b);
    EXPECT_STR(b.f.t.calls[0].endpoint, "http://x.test/{id}");
    stop(&b);
}

/* ------------------------------------------------------------------ unknown outcomes */

static void retry(bench *b, bool confirmed)
{
    pw_event event = { .kind = PW_EVENT_RETRY,
                       .now_ms = b->f.now_ms,
                       .seed = 7,
                       .actor = PW_LIT("ann"),
                       .confirmed = confirmed };
    fixture_event(&b->f, &event);
    keep(b);
}

TEST(undo, a_call_in_flight_leaves_a_row_of_unknown_outcome_and_a_person_is_asked)
{
    bench b;
    start(&b, ON("") "do:\n  - a: " DOES("a") "\n  - b: " DOES("b") "\n");
    result(&b, 1, "{\"id\":1}");
    pw_undo_step *open;
    size_t count;
    pawl_error err;
    EXPECT_OK(pw_state_undo_open(&open, &count, b.f.state, b.f.program, &b.f.arena, &err), err);
    EXPECT_INT(count, 1);
    EXPECT_STR(open[0].task, "/do/1/b");
    EXPECT_INT(open[0].state, PW_UNDO_UNKNOWN);
    command(&b, PW_EVENT_COMPENSATE);
    EXPECT_TEXT(fixture_entries(&b.f),
                "compensation.started; compensation.registered /do/1/b; task.cancelled /do/1/b; "
                "task.started /document/metadata/pawl/compensation");
    EXPECT_TEXT(fixture_member(&b.f, fixture_entry_text(&b.f, 1), "state"), "unknown");
    EXPECT_TEXT(work(&b), "not do-b 2 {}");
    plans(&b);
    EXPECT_STATUS(b.f, "faulted");
    EXPECT_TEXT(rows(&b), "1 /do/0/a registered {\"of\":1}; 2 /do/1/b unknown {\"of\":null}");
    EXPECT_STR(b.f.t.fault->class_, "unknown-outcome");
    EXPECT_STR(b.f.t.fault->task, "/do/1/b/metadata/pawl/compensate");
    retry(&b, false);
    EXPECT(!b.f.t.changed);
    EXPECT_INT(b.f.t.code, PAWL_STATE);
    EXPECT_INT(b.f.t.reason, PAWL_REASON_UNKNOWN_OUTCOME);
    retry(&b, true);
    EXPECT_TEXT(work(&b), "un-b 6 {\"of\":null}");
    result(&b, 6, "null");
    EXPECT_TEXT(work(&b), "un-a 5 {\"of\":1}");
    result(&b, 5, "null");
    EXPECT_STATUS(b.f, "compensated");
    stop(&b);
}

TEST(undo, who_is_asked_may_leave_it)
{
    bench b;
    start(&b, ON("") "do:\n  - a: " DOES("a") "\n  - b: " DOES("b") "\n");
    result(&b, 1, "{\"id\":1}");
    compensate(&b);
    command(&b, PW_EVENT_SKIP); /* without a confirmation: it is that what is asked */
    EXPECT_STATUS(b.f, "compensating");
    EXPECT_TEXT(work(&b), "un-a 5 {\"of\":1}");
    EXPECT_TEXT(rows(&b), "1 /do/0/a running {\"of\":1}; 2 /do/1/b skipped {\"of\":null}");
    stop(&b);
}

TEST(undo, what_nobody_has_decided_is_asked_again)
{
    bench b;
    start(&b, ON("") "do:\n  - a: " DOES("a") "\n");
    compensate(&b);
    EXPECT_STATUS(b.f, "faulted");
    command(&b, PW_EVENT_FAIL);
    EXPECT_TEXT(rows(&b), "1 /do/0/a unknown {\"of\":null}");
    compensate(&b);
    EXPECT_STATUS(b.f, "faulted");
    EXPECT_STR(b.f.t.fault->class_, "unknown-outcome");
    stop(&b);
}

TEST(undo, the_definition_may_say_what_becomes_of_an_unknown_outcome)
{
    static const struct {
        const char *when, *work, *rows;
    } cases[] = {
        { "run", "un-b 4 {}", "1 /do/0/a registered {\"of\":1}; 2 /do/1/b running {}" },
        { "skip", "un-a 5 {\"of\":1}", "1 /do/0/a running {\"of\":1}; 2 /do/1/b skipped {}" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        bench b;
        char text[600];
        (void)snprintf(text, sizeof text,
                       ON("") "do:\n  - a: " DOES(
                           "a") "\n  - b: { call: do-b, metadata: { pawl: { compensate: "
                                "{ call: un-b, metadata: { pawl: { whenUnknown: %s } } } } } }\n",
                       cases[i].when);
        start(&b, text);
        result(&b, 1, "{\"id\":1}");
        compensate(&b);
        EXPECT_TEXT(work(&b), cases[i].work);
        EXPECT_TEXT(rows(&b), cases[i].rows);
        stop(&b);
    }
}

#define CALLS(undo)                                                                                \
    "{ call: http, with: { method: post, endpoint: 'http://x.test/' }, metadata: { pawl: { "       \
    "compensate: { call: " undo " } } } }"

TEST(undo, a_call_that_was_caught_is_of_unknown_outcome_if_it_may_have_had_its_effect)
{
    static const struct {
        pw_call_result result;
        const char *rows;
    } cases[] = {
        { { .class_ = PW_CLASS_CONNECTION, .error = { "broken", 6 } },
          "1 /do/0/t/try/0/a unknown {}" },
        { { .timed_out = true, .class_ = PW_CLASS_TIMEOUT, .error = { "late", 4 } },
          "1 /do/0/t/try/0/a unknown {}" },
        { { .class_ = PW_CLASS_CONNECTION, .unsent = true, .error = { "refused", 7 } }, "" },
        { { .answered = true, .status = 503 }, "" },
        { { .answered = true, .status = 503, .resent = true }, "1 /do/0/t/try/0/a unknown {}" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        bench b;
        start(&b, ON("") "do:\n  - t: { try: [ { a: " CALLS(
                      "un-a") " } ], catch: {} }\n  - b: { call: do-b }\n");
        fixture_called(&b.f, 2, 1, cases[i].result);
        keep(&b);
        EXPECT_STATUS(b.f, "waiting");
        EXPECT_TEXT(rows(&b), cases[i].rows);
        stop(&b);
    }
}

TEST(undo, a_call_that_ends_well_after_all_is_known)
{
    bench b;
    start(&b, ON("") "do:\n  - t: { try: [ { a: " CALLS(
                  "un-a") " } ], catch: { retry: { limit: { attempt: { count: 1 } } } } }\n");
    fixture_called(&b.f, 2, 1,
                   (pw_call_result){ .class_ = PW_CLASS_CONNECTION, .error = PW_LIT("broken") });
    keep(&b);
    EXPECT_TEXT(rows(&b), "1 /do/0/t/try/0/a unknown {}");
    fixture_answer(&b.f, 3, 200, "application/json", "{}");
    keep(&b);
    EXPECT_STATUS(b.f, "completed");
    EXPECT_TEXT(rows(&b), "2 /do/0/t/try/0/a registered {}"); /* the same key: one effect */
    stop(&b);
}

TEST(undo, a_call_that_faulted_in_doubt_leaves_its_row_when_it_is_left)
{
    bench b;
    start(&b, ON("") "do:\n  - a: " CALLS("un-a") "\n  - b: { call: do-b }\n");
    fixture_called(&b.f, 1, 1,
                   (pw_call_result){ .class_ = PW_CLASS_CONNECTION, .error = PW_LIT("broken") });
    keep(&b);
    EXPECT_STATUS(b.f, "faulted");
    EXPECT_TEXT(rows(&b), "");
    command(&b, PW_EVENT_SKIP);
    EXPECT_INT(b.f.t.reason, PAWL_REASON_UNKNOWN_OUTCOME);
    pw_event event = { .kind = PW_EVENT_SKIP, .now_ms = b.f.now_ms, .seed = 7, .confirmed = true };
    fixture_event(&b.f, &event);
    keep(&b);
    EXPECT_TEXT(rows(&b), "1 /do/0/a unknown {}");
    EXPECT_TEXT(work(&b), "do-b 2 {}");
    stop(&b);
}

TEST(undo, another_request_leaves_the_one_before_behind)
{
    bench b;
    start(&b, ON("") "do:\n  - a: { call: http, with: { method: post, endpoint: "
                     "'http://x.test/{k}' }, metadata: { pawl: { compensate: { "
                     "call: un-a, with: { k: '${ $input.k }' } } } } }\n");
    fixture_called(&b.f, 1, 1,
                   (pw_call_result){ .class_ = PW_CLASS_CONNECTION, .error = PW_LIT("broken") });
    keep(&b);
    pw_event event = { .kind = PW_EVENT_RETRY, .now_ms = b.f.now_ms, .seed = 7, .confirmed = true };
    pawl_error err;
    EXPECT_OK(pw_json_parse(&event.payload, PW_LIT("{\"k\":2}"), NULL, &b.f.arena, &err), err);
    fixture_event(&b.f, &event);
    keep(&b);
    EXPECT_STR(b.f.t.calls[0].endpoint, "http://x.test/2");
    EXPECT_INT(b.count, 1);
    EXPECT_INT(b.rows[0].state, PW_UNDO_UNKNOWN);
    fixture_answer(&b.f, 2, 200, "application/json", "{}");
    keep(&b);
    EXPECT_INT(b.count, 2);
    EXPECT_STR(b.rows[1].arguments, "{\"k\":2}");
    EXPECT(!pw_str_eq(b.rows[0].key, b.rows[1].key));
    stop(&b);
}

TEST(undo, a_call_whose_output_does_not_fit_was_made_all_the_same)
{
    bench b;
    start(&b, ON("") "do:\n  - t: { try: [ { a: { call: do-a, output: { as: '${ .x.y.z | error }' "
                     "}, " UNDO("un-a") " } } ], catch: {} }\n");
    result(&b, 2, "{\"id\":1}");
    EXPECT_STATUS(b.f, "completed");
    EXPECT_TEXT(rows(&b), "1 /do/0/t/try/0/a unknown {\"of\":null}");
    stop(&b);
}

TEST(undo, a_result_that_was_kept_is_known)
{
    bench b;
    start(&b,
          ON("") "do:\n  - a: { call: do-a, output: { as: '${ {id: .n} }' }, " UNDO("un-a") " }\n");
    command(&b, PW_EVENT_SUSPEND);
    result(&b, 1, "{\"n\":41}");
    EXPECT_TEXT(rows(&b), "");
    command(&b, PW_EVENT_COMPENSATE);
    EXPECT_STATUS(b.f, "compensating");
    EXPECT_TEXT(rows(&b), "1 /do/0/a registered {\"of\":41}");
    stop(&b);
}

TEST(undo, a_call_in_flight_that_would_leave_no_row_is_nothing_to_undo)
{
#define IF_DONE                                                                                    \
    "{ call: do-b, metadata: { pawl: { compensate: { call: un-b, if: '${ .id != null }' } } } }"
    bench b;
    start(&b, ON("faulted, cancelled") "do:\n  - b: " IF_DONE "\n");
    command(&b, PW_EVENT_COMPENSATE);
    EXPECT(!b.f.t.changed);
    EXPECT_INT(b.f.t.reason, PAWL_REASON_NO_COMPENSATION);
    command(&b, PW_EVENT_CANCEL);
    EXPECT_STATUS(b.f, "cancelled");
    stop(&b);
    start(&b, ON("faulted") "do:\n  - both: { fork: { branches: [ { b: " IF_DONE
                            " }, { c: { call: do-c } } ] } }\n");
    failed(&b, 3);
    EXPECT_STATUS(b.f, "faulted");
    stop(&b);
}

TEST_MAIN()
