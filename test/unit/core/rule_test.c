/* What a step lets go, refuses and tells: the rules that no other test looks at closely. */
#include "fixture.h"

/* ------------------------------------------------------------------ letting go */

TEST(rule, a_branch_that_was_ready_does_not_run_after_another_has_failed)
{
    fixture f;
    fixture_open(&f, "  - safe:\n"
                     "      try:\n"
                     "        - both:\n"
                     "            fork:\n"
                     "              branches:\n"
                     "                - a: { raise: { error: { type: 'https://x/no', status: 418 } "
                     "} }\n"
                     "                - b: { call: work }\n"
                     "      catch: { do: [ { mend: { set: { mended: true } } } ] }\n");
    fixture_start(&f, "null");
    EXPECT_OUTPUT(f, "{\"mended\":true}");
    EXPECT_INT(f.t.work_count, 0);
    fixture_close(&f);
}

TEST(rule, what_is_cancelled_lets_its_call_activity_and_bookmarks_go_by_name)
{
    fixture f;
    fixture_open(&f, "  - all:\n"
                     "      fork:\n"
                     "        branches:\n"
                     "          - a: { call: http, with: { method: get, endpoint: 'http://x/' } }\n"
                     "          - b: { call: work, with: { n: 1 } }\n"
                     "          - c: { wait: PT1H }\n"
                     "          - d:\n"
                     "              try: [ { no: { raise: { error: { type: 'https://x/no', status: "
                     "418 } } } } ]\n"
                     "              catch: { retry: { delay: PT1H, limit: { attempt: { count: 1 } "
                     "} } }\n");
    fixture_start(&f, "null");
    const char *call = fixture_text(&f, f.t.calls[0].key);
    const char *work = fixture_text(&f, f.t.work[0].key);
    EXPECT_INT(f.t.bookmark_count, 2);
    fixture_command(&f, PW_EVENT_CANCEL, "ann", "no more");
    EXPECT_INT(f.t.outcome_count, 1);
    EXPECT_INT(f.t.outcomes[0].visit, 2);
    EXPECT_STR(f.t.outcomes[0].key, call);
    EXPECT_INT(f.t.outcomes[0].state, PW_CALL_ABANDONED);
    EXPECT_INT(f.t.work_count, 1);
    EXPECT(f.t.work[0].cancel);
    EXPECT_INT(f.t.work[0].visit, 3);
    EXPECT_STR(f.t.work[0].key, work);
    EXPECT_INT(f.t.bookmark_end_count, 2);
    EXPECT_STR(f.t.bookmark_ends[0].key, "c-4");
    EXPECT_STR(f.t.bookmark_ends[1].key, "d-5-retry-1");
    for (size_t i = 0; i < 2; i++) {
        EXPECT_STR(f.t.bookmark_ends[i].by, "ann");
        EXPECT(!f.t.bookmark_ends[i].consumed);
    }
    fixture_close(&f);
}

TEST(rule, then_end_in_a_branch_ends_the_other_branches)
{
    fixture f;
    fixture_open(&f, "  - both:\n"
                     "      fork:\n"
                     "        branches:\n"
                     "          - a: { call: userTask, with: { key: k } }\n"
                     "          - b: { set: { done: true }, then: end }\n");
    fixture_start(&f, "null");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"done\":true}");
    EXPECT_INT(f.t.bookmark_count, 0); /* of this very step: it was never opened */
    EXPECT_INT(f.t.bookmark_end_count, 0);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ faults */

TEST(rule, a_fault_says_which_visit_attempt_and_kind)
{
    fixture f;
    fixture_open(&f, "  - ask: { call: userTask, with: { key: k } }\n"
                     "  - a: { call: work, timeout: { after: PT1H } }\n");
    fixture_retries(&f, 3);
    fixture_start(&f, "null");
    fixture_resume(&f, "k", "{}", "ann");
    for (uint32_t attempt = 1; attempt <= 4; attempt++)
        fixture_lost(&f, 2, attempt);
    EXPECT_STATUS(f, "faulted");
    EXPECT_STR(f.t.fault->task, "/do/1/a");
    EXPECT_INT(f.t.fault->visit, 2);
    EXPECT_INT(f.t.fault->attempt, 4);
    EXPECT_STR(f.t.fault->kind, "activity-fault");
    /* Who mends it begins anew: no deadline of before is kept. */
    EXPECT(!strstr(fixture_text(&f, f.t.state_text), "\"to\":"));
    fixture_close(&f);

    fixture_open(&f, "  - ask: { call: userTask, with: { key: k } }\n"
                     "  - bad: { set: '${ .x.y }' }\n");
    fixture_start(&f, "null");
    fixture_resume(&f, "k", "{\"x\":3}", "ann");
    EXPECT_STATUS(f, "faulted");
    EXPECT_STR(f.t.fault->kind, "activity-fault");
    EXPECT_INT(f.t.fault->visit, 2);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ order and time */

TEST(rule, what_is_done_in_time_has_not_timed_out)
{
    fixture f;
    fixture_open(&f, "  - nap: { wait: PT1M, timeout: { after: PT1M } }\n");
    fixture_start(&f, "null");
    fixture_timer(&f, T0 + 60000);
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);

    fixture_open(&f, "  - nap: { wait: PT1M, timeout: { after: PT59S } }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.wake_at, T0 + 59000);
    fixture_timer(&f, T0 + 60000);
    EXPECT_STATUS(f, "faulted");
    fixture_close(&f);
}

TEST(rule, timers_that_are_due_together_fire_in_the_order_of_their_times)
{
    fixture f;
    fixture_open(&f, "  - both:\n"
                     "      fork:\n"
                     "        branches:\n"
                     "          - late: { wait: PT2M }\n"
                     "          - early: { wait: PT1M }\n");
    fixture_start(&f, "null");
    fixture_timer(&f, T0 + 180000);
    EXPECT_STATUS(f, "completed");
    EXPECT_TEXT(fixture_entries(&f),
                "task.completed /do/0/both/fork/branches/1/early; task.completed "
                "/do/0/both/fork/branches/0/late; task.completed /do/0/both; instance.completed");
    fixture_close(&f);
}

TEST(rule, a_wait_of_no_time_is_over_at_once)
{
    fixture f;
    fixture_open(&f, "  - nap: { wait: PT0S }\n");
    fixture_start(&f, "null");
    EXPECT_STATUS(f, "completed");
    EXPECT_INT(f.t.bookmark_count, 0);
    fixture_close(&f);
}

TEST(rule, a_retry_without_a_delay_begins_in_the_same_step)
{
    fixture f;
    fixture_open(&f, "  - safe:\n"
                     "      try: [ { a: { call: work } } ]\n"
                     "      catch: { retry: { limit: { attempt: { count: 1 } } } }\n");
    fixture_start(&f, "null");
    fixture_failed(&f, 2, 1, "{\"status\":503}");
    EXPECT_INT(f.t.work_count, 1);
    EXPECT_INT(f.t.work[0].visit, 3);
    EXPECT_INT(f.t.bookmark_count, 0);
    fixture_close(&f);
}

TEST(rule, an_activity_keeps_its_instance_awake_until_it_is_suspended)
{
    fixture f;
    fixture_open(&f, "  - a: { call: work }\n");
    fixture_start(&f, "null");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.wake_at, 0);
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    EXPECT(f.t.wake_at == PW_WAKE_NEVER);
    fixture_close(&f);
}

TEST(rule, an_instance_that_was_cut_and_suspended_goes_on_where_it_was)
{
    fixture f;
    fixture_open(&f, "  - a: { set: { n: 1 } }\n"
                     "  - b: { set: '${ { n: (.n + 1) } }' }\n"
                     "  - c: { set: '${ { n: (.n + 1) } }' }\n");
    f.settings.tasks_per_step = 1;
    fixture_start(&f, "null");
    EXPECT(f.t.cut);
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    EXPECT_STATUS(f, "suspended");
    fixture_drive(&f); /* too late */
    EXPECT(!f.t.changed);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_STATUS(f, "running");
    EXPECT(f.t.cut);
    fixture_drive(&f);
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"n\":3}");
    fixture_close(&f);
}

TEST(rule, jitter_is_of_the_instance_s_own_seed_and_in_its_bounds)
{
    int64_t delays[3];
    for (unsigned i = 0; i < 3; i++) {
        fixture f;
        fixture_open(&f, "  - safe:\n"
                         "      try: [ { a: { call: work } } ]\n"
                         "      catch: { retry: { delay: PT1S, jitter: { from: PT1S, to: PT9S }, "
                         "limit: { attempt: { count: 1 } } } }\n");
        fixture_start(&f, "null");
        pw_value error;
        pawl_error err;
        EXPECT_OK(pw_json_parse(&error, PW_LIT("{\"status\":503}"), NULL, &f.arena, &err), err);
        pw_event event = { .kind = PW_EVENT_ACTIVITY_RESULT,
                           .visit = 2,
                           .attempt = 1,
                           .now_ms = T0,
                           .seed = 100 + i,
                           .error = error };
        fixture_event(&f, &event);
        delays[i] = f.t.wake_at - T0;
        EXPECT(delays[i] >= 2000 && delays[i] <= 10000);
        fixture_close(&f);
    }
    EXPECT(delays[0] != delays[1] && delays[1] != delays[2] && delays[0] != delays[2]);
}

/* ------------------------------------------------------------------ commands and late results */

TEST(rule, a_completed_instance_cannot_be_cancelled_or_continued)
{
    fixture f;
    fixture_open(&f, "  - a: { set: { n: 1 } }\n");
    fixture_start(&f, "null");
    static const pw_event_kind kinds[] = { PW_EVENT_CANCEL, PW_EVENT_CONTINUE };
    for (size_t i = 0; i < PW_LENGTH(kinds); i++) {
        fixture_command(&f, kinds[i], "ann", "");
        EXPECT(!f.t.changed);
        EXPECT_INT(f.t.code, PAWL_STATE);
        EXPECT_STR(f.t.message, "the instance has completed");
    }
    fixture_close(&f);
}

TEST(rule, an_answer_to_an_attempt_that_nobody_waits_for_is_late)
{
    fixture f;
    fixture_open(&f, "  - get: { call: http, with: { method: get, endpoint: 'http://x/' } }\n");
    fixture_start(&f, "null");
    pw_event event = { .kind = PW_EVENT_CALL_RESULT,
                       .visit = 1,
                       .attempt = 2,
                       .now_ms = T0,
                       .call = { .answered = true, .status = 204 } };
    fixture_event(&f, &event);
    EXPECT_TEXT(fixture_entries(&f), "call.late");
    EXPECT_STATUS(f, "waiting");
    fixture_close(&f);
}

TEST(rule, a_lost_attempt_that_nobody_waits_for_is_nothing)
{
    fixture f;
    fixture_open(&f, "  - a: { call: work }\n");
    fixture_start(&f, "null");
    fixture_lost(&f, 1, 7);
    EXPECT(!f.t.changed);
    fixture_close(&f);
}

TEST(rule, an_activity_lost_while_suspended_is_handed_out_when_it_goes_on)
{
    fixture f;
    fixture_open(&f, "  - a: { call: work }\n");
    fixture_retries(&f, 1);
    fixture_start(&f, "null");
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    fixture_lost(&f, 1, 1);
    EXPECT_STATUS(f, "suspended");
    EXPECT_INT(f.t.work_count, 0);
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_INT(f.t.work_count, 1);
    EXPECT_INT(f.t.work[0].attempt, 2);
    EXPECT_STR(f.t.work[0].last_error, "");
    fixture_close(&f);
}

TEST(rule, a_failure_that_comes_while_suspended_is_raised_when_it_goes_on)
{
    fixture f;
    fixture_open(&f, "  - a: { call: work }\n");
    fixture_start(&f, "null");
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    fixture_failed(&f, 1, 1, "{\"status\":418}");
    EXPECT_STATUS(f, "suspended");
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "status"), "418");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ people and activities */

static const char *digest_of(const char *data)
{
    static char text[2][65];
    static unsigned at;
    fixture f;
    fixture_open(&f,
                 "  - ask: { call: userTask, with: { key: k, candidates: { groups: [ sales ] }, "
                 "due: '2026-12-24T18:00:00Z' } }\n");
    fixture_start(&f, "null");
    EXPECT_STR(f.t.bookmarks[0].candidates, "{\"groups\":[\"sales\"]}");
    EXPECT_INT(f.t.bookmarks[0].due_at, 1798135200000);
    fixture_resume(&f, "k", data, "ann");
    EXPECT_INT(f.t.bookmark_end_count, 1);
    EXPECT(f.t.bookmark_ends[0].consumed);
    EXPECT_STR(f.t.bookmark_ends[0].by, "ann");
    char *out = text[at++ % 2];
    (void)snprintf(out, sizeof text[0], "%.*s", (int)f.t.bookmark_ends[0].digest.len,
                   f.t.bookmark_ends[0].digest.ptr);
    fixture_close(&f);
    return out;
}

TEST(rule, the_digest_of_an_answer_is_of_its_content_in_any_order)
{
    /* SHA-256 of the length, as 8 bytes, and of {"a":1,"b":[2]} */
    EXPECT_TEXT(digest_of("{ \"b\": [2], \"a\": 1 }"), digest_of("{\"a\":1,\"b\":[2]}"));
    EXPECT_TEXT(digest_of("{\"a\":1,\"b\":[2]}"),
                "20f081aa7f70a81855af5c8ddf78167652669dc408fe366d0716ffd409312de8");
    EXPECT(strcmp(digest_of("{\"a\":1}"), digest_of("{\"a\":2}")) != 0);
}

TEST(rule, a_due_date_that_is_none_is_an_error)
{
    fixture f;
    fixture_open(&f, "  - ask: { call: userTask, with: { due: '${ .when }' } }\n");
    fixture_start(&f, "{\"when\":\"soon\"}");
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "title"), "not a due date");
    fixture_close(&f);
}

TEST(rule, the_error_of_an_activity_has_a_status_of_http_and_a_type)
{
    static const struct {
        const char *error, *type, *status;
    } rows[] = {
        { "{\"status\":99}", PW_ERROR_HOST "runtime", "500" },
        { "{\"status\":600}", PW_ERROR_HOST "runtime", "500" },
        { "{\"status\":100}", PW_ERROR_HOST "runtime", "100" },
        { "{\"status\":599}", PW_ERROR_HOST "runtime", "599" },
        { "{\"title\":\"?\"}", PW_ERROR_HOST "runtime", "500" },
        { "{\"status\":408}", PW_ERROR_HOST "timeout", "408" },
        { "{\"status\":409,\"type\":\"https://x/no\"}", "https://x/no", "409" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        fixture_open(&f, "  - a: { call: work }\n");
        fixture_start(&f, "null");
        fixture_failed(&f, 1, 1, rows[i].error);
        const char *error = fixture_text(&f, f.t.error);
        EXPECT_TEXT(fixture_member(&f, error, "type"), rows[i].type);
        EXPECT_TEXT(fixture_member(&f, error, "status"), rows[i].status);
        fixture_close(&f);
    }
}

/* ------------------------------------------------------------------ try, loops, expressions */

TEST(rule, a_catch_is_filtered_by_each_member_of_the_error)
{
    static const char *const filters[] = { "title: other", "detail: other", "instance: /do/9",
                                           "status: 400", "type: 'https://x/other'" };
    for (size_t i = 0; i < PW_LENGTH(filters); i++)
        for (int matches = 0; matches < 2; matches++) {
            fixture f;
            char text[512];
            static const char *const same[] = { "title: t", "detail: d",
                                                "instance: /do/0/safe/try/0/no", "status: 418",
                                                "type: 'https://x/no'" };
            (void)snprintf(text, sizeof text,
                           "  - safe:\n"
                           "      try: [ { no: { raise: { error: { type: 'https://x/no', status: "
                           "418, title: t, detail: d } } } } ]\n"
                           "      catch: { errors: { with: { %s } } }\n",
                           matches ? same[i] : filters[i]);
            fixture_open(&f, text);
            fixture_start(&f, "null");
            EXPECT_STATUS(f, matches ? "completed" : "faulted");
            fixture_close(&f);
        }
}

TEST(rule, the_condition_of_a_retry_decides_whether_there_is_one)
{
    fixture f;
    fixture_open(&f, "  - safe:\n"
                     "      try: [ { a: { call: work } } ]\n"
                     "      catch: { retry: { when: .status == 503, limit: { attempt: { count: 5 } "
                     "} } }\n");
    fixture_start(&f, "null");
    fixture_failed(&f, 2, 1, "{\"status\":503}");
    EXPECT_STATUS(f, "waiting");
    fixture_failed(&f, 3, 1, "{\"status\":500}");
    EXPECT_STATUS(f, "faulted");
    fixture_close(&f);
}

TEST(rule, the_then_of_a_catch_is_followed_when_it_caught_and_only_then)
{
    static const char *const inputs[] = { "true", "false" };
    static const char *const handled[] = { "{\"last\":true}", "{\"next\":true,\"last\":true}" };
    for (int i = 0; i < 4; i++) {
        fixture f;
        char text[512];
        (void)snprintf(text, sizeof text,
                       "  - safe:\n"
                       "      try: [ { no: { if: .fail, raise: { error: { type: 'https://x/no', "
                       "status: 418 } } } } ]\n"
                       "      catch: { then: last%s }\n"
                       "  - next: { set: { next: true } }\n"
                       "  - last: { set: '${ { next: .next, last: true } | with_entries(select("
                       ".value)) }' }\n",
                       i < 2 ? "" : ", do: [ { mend: { set: { mended: true } } } ]");
        fixture_open(&f, text);
        fixture_start(&f,
                      fixture_text(&f, pw_arena_printf(&f.arena, "{\"fail\":%s}", inputs[i % 2])));
        EXPECT_OUTPUT(f, handled[i % 2]);
        fixture_close(&f);
    }
}

TEST(rule, a_list_without_tasks_passes_its_input_on)
{
    fixture f;
    fixture_open(&f,
                 "  - safe:\n"
                 "      try: [ { no: { raise: { error: { type: 'https://x/no', status: 418 } } } "
                 "} ]\n"
                 "      catch: { do: [] }\n"
                 "  - none: { do: [] }\n");
    fixture_start(&f, "{\"k\":1}");
    EXPECT_OUTPUT(f, "{\"k\":1}");
    fixture_close(&f);
}

TEST(rule, of_two_cases_that_match_the_first_is_taken)
{
    fixture f;
    fixture_open(&f,
                 "  - pick: { switch: [ { first: { when: .n > 1, then: one } }, { second: { when: "
                 ".n > 0, then: two } } ] }\n"
                 "  - two: { set: { at: two }, then: end }\n"
                 "  - one: { set: { at: one } }\n");
    fixture_start(&f, "{\"n\":2}");
    EXPECT_OUTPUT(f, "{\"at\":\"one\"}");
    fixture_close(&f);
}

TEST(rule, the_inner_loop_s_variable_hides_that_of_the_outer)
{
    fixture f;
    fixture_open(&f, "  - outer:\n"
                     "      for: { each: x, in: '[\"a\", \"b\"]', at: n }\n"
                     "      do:\n"
                     "        - inner:\n"
                     "            for: { each: x, in: '[1, 2]', at: n }\n"
                     "            do: [ { add: { set: '${ . + [[$x, $n]] }' } } ]\n");
    fixture_start(&f, "[]");
    EXPECT_OUTPUT(f, "[[1,0],[2,1],[1,0],[2,1]]");
    fixture_close(&f);
}

TEST(rule, the_clock_of_an_expression_is_the_event_s)
{
    fixture f;
    fixture_open(&f, "  - a: { set: { at: '${ now | todate }' } }\n");
    fixture_start(&f, "null");
    EXPECT_OUTPUT(f, "{\"at\":\"2026-09-21T14:13:20Z\"}");
    fixture_close(&f);
}

TEST(rule, functions_nest_to_their_limit_and_no_deeper)
{
    /* f calls itself .n times, and each call is a scope: of the 120, 44 are kept for what nests in
     * the innermost. */
    static const struct {
        int calls;
        const char *status;
    } rows[] = { { 75, "completed" }, { 76, "faulted" } };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        fixture_open(&f,
                     "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\n"
                     "use:\n"
                     "  functions:\n"
                     "    f: { if: .n > 0, call: f, with: { n: '${ .n - 1 }' } }\n"
                     "do:\n"
                     "  - a: { call: f, with: { n: '${ . }' } }\n");
        fixture_start(&f, fixture_text(&f, pw_arena_printf(&f.arena, "%d", rows[i].calls)));
        EXPECT_STATUS(f, rows[i].status);
        fixture_close(&f);
    }
}

/* ------------------------------------------------------------------ http and events */

static void answered(fixture *f, const pw_call_result *result)
{
    fixture_open(f, "  - get: { call: http, with: { method: get, endpoint: 'http://x/', headers: { "
                    "accept: text/plain }, redirect: true } }\n");
    fixture_start(f, "null");
    EXPECT_STR(f->t.calls[0].request,
               "{\"method\":\"GET\",\"uri\":\"http://x/\",\"headers\":[[\"accept\",\"text/"
               "plain\"]],\"redirect\":true}");
    pw_event event = {
        .kind = PW_EVENT_CALL_RESULT, .visit = 1, .attempt = 1, .now_ms = T0, .call = *result
    };
    fixture_event(f, &event);
    EXPECT_INT(f->t.outcome_count, 1);
    EXPECT_INT(f->t.outcomes[0].visit, 1);
}

TEST(rule, the_outcome_of_a_call_says_how_it_ended_and_how_long_it_took)
{
    fixture f;
    answered(&f,
             &(pw_call_result){ .timed_out = true, .error = PW_LIT("late"), .duration_ms = 45 });
    EXPECT_INT(f.t.outcomes[0].state, PW_CALL_TIMED_OUT);
    EXPECT_INT(f.t.outcomes[0].duration_ms, 45);
    EXPECT_STR(f.t.outcomes[0].outcome, "{\"error\":\"late\"}");
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "status"), "504");
    fixture_close(&f);

    answered(&f, &(pw_call_result){ .class_ = PW_CLASS_CONNECTION, .error = PW_LIT("refused") });
    EXPECT_INT(f.t.outcomes[0].state, PW_CALL_FAILED);
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "status"), "500");
    fixture_close(&f);

    answered(&f, &(pw_call_result){ .answered = true, .status = 199 });
    EXPECT_STATUS(f, "faulted");
    EXPECT_INT(f.t.outcomes[0].state, PW_CALL_FAILED);
    fixture_close(&f);

    answered(&f, &(pw_call_result){ .answered = true, .status = 302 }); /* redirect: true */
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

TEST(rule, a_body_that_is_not_utf_8_is_base64_whatever_its_type)
{
    fixture f;
    const pw_header plain = { PW_LIT("content-type"), PW_LIT("text/plain") };
    answered(&f, &(pw_call_result){ .answered = true,
                                    .status = 200,
                                    .headers = &plain,
                                    .header_count = 1,
                                    .body = { "\xff\xfe", 2 } });
    EXPECT_OUTPUT(f, "\"//4=\"");
    EXPECT_STR(f.t.outcomes[0].outcome, "{\"status\":200,\"headers\":{\"content-type\":\"text/"
                                        "plain\"},\"bodyBase64\":\"//4=\"}");
    fixture_close(&f);
}

TEST(rule, a_stored_request_that_is_damaged_is_corrupt)
{
    static const char *const texts[] = {
        "{\"uri\":\"http://x/\",\"headers\":[]}",
        "{\"method\":\"GET\",\"headers\":[]}",
        "{\"method\":\"GET\",\"uri\":\"http://x/\"}",
        "{\"method\":\"GET\",\"uri\":\"http://x/\",\"headers\":[[\"\",\"v\"]]}",
        "{\"method\":\"GET\",\"uri\":\"http://x/\",\"headers\":[7]}",
        "{",
    };
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_call_request request;
    pawl_error err;
    for (size_t i = 0; i < PW_LENGTH(texts); i++)
        EXPECT_INT(pw_call_request_parse(&request, pw_str_of(texts[i]), &arena, &err),
                   PAWL_CORRUPT);
    EXPECT_OK(pw_call_request_parse(
                  &request,
                  PW_LIT("{\"method\":\"GET\",\"uri\":\"http://x/\",\"headers\":[],\"redirect\":"
                         "true}"),
                  &arena, &err),
              err);
    EXPECT(request.redirect);
    pw_arena_done(&arena);
}

TEST(rule, what_describes_an_event_is_text_that_is_not_empty)
{
    static const struct {
        const char *input, *detail;
    } rows[] = {
        { "{\"type\":\"t\",\"source\":\"\"}",
          "the attribute 'source' must be a text that is not empty, not string" },
        { "{\"type\":3,\"source\":\"/s\"}",
          "the attribute 'type' must be a text that is not empty, not number" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        fixture_open(&f, "  - tell: { emit: { event: { with: { type: '${ .type }', source: '${ "
                         ".source }' } } } }\n");
        fixture_start(&f, rows[i].input);
        EXPECT_STATUS(f, "faulted");
        EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "detail"), rows[i].detail);
        fixture_close(&f);
    }
}

TEST(rule, a_detail_that_is_too_long_is_cut_between_characters)
{
    for (int pad = 0; pad < 2;
         pad++) { /* at one of the two lengths the limit is inside a character */
        fixture f;
        fixture_open(
            &f, "  - get: { call: http, with: { method: get, endpoint: '${ .at + (\"\\u00e9\" * "
                "1000) }' } }\n");
        fixture_start(&f, pad ? "{\"at\":\"xx\"}" : "{\"at\":\"x\"}");
        EXPECT_STATUS(f, "faulted");
        const char *detail = fixture_member(&f, fixture_text(&f, f.t.error), "detail");
        size_t len = strlen(detail);
        EXPECT(len == 598 || len == 599);
        EXPECT(pw_utf8_valid(pw_str_of(detail)));
        fixture_close(&f);
    }
}

TEST_MAIN()
