/* attempt_test.c - attempts of calls and activities that fail: when the next one begins, and what it is
 * the next one of. The state is stored and read back between them. */
#include "fixture.h"
#include "core/step.h"

#define GET "{ call: http, with: { method: get, endpoint: 'http://x/y?q=1' } }"
#define SAID(said) "{ call: http, with: { method: get, endpoint: 'http://x/y?q=1' }, metadata: { pawl: { resilience: " said " } } }"

static const pw_call_result busy = { .answered = true, .status = 503 };
static const pw_call_result too_slow = { .answered = true, .status = 408 };
static const pw_call_result fine = { .answered = true, .status = 200, .body = { "1", 1 } };
static const pw_call_result silent = { .timed_out = true, .class_ = PW_CLASS_TIMEOUT, .error = { "no answer", 9 } };
static const pw_call_result broken = { .class_ = PW_CLASS_CONNECTION, .error = { "reset", 5 } };
static const pw_call_result refused = { .class_ = PW_CLASS_CONNECTION, .unsent = true, .error = { "refused", 7 } };

static void open_with(fixture *f, uint32_t retries, const char *tasks)
{
    fixture_open(f, tasks);
    fixture_retries(f, retries);
    fixture_start(f, "{\"k\":1}");
    fixture_reload(f);
}

static void lost(fixture *f, uint64_t visit, uint32_t attempt)
{
    const pw_event event = {
        .kind = PW_EVENT_CALL_LOST, .now_ms = f->now_ms, .visit = visit, .attempt = attempt
    };
    fixture_event(f, &event);
}

static void failed(fixture *f, uint64_t visit, uint32_t attempt, const char *error, unsigned retry, uint64_t after_ms)
{
    pw_event event = { .kind = PW_EVENT_ACTIVITY_RESULT,
                       .now_ms = f->now_ms,
                       .visit = visit,
                       .attempt = attempt,
                       .retry_after_ms = after_ms };
    event.retry = retry;
    pawl_error err;
    EXPECT_OK(pw_json_parse(&event.error, pw_str_of(error), NULL, &f->arena, &err), err);
    fixture_event(f, &event);
}

/* The call begins again in the last step, as attempt `attempt`, with what the store has under `key`. */
static void expect_again(fixture *f, uint32_t attempt, const char *key)
{
    EXPECT_INT(f->t.call_count, 1);
    EXPECT_INT(f->t.calls[0].attempt, attempt);
    EXPECT(f->t.calls[0].again);
    EXPECT_INT(f->t.calls[0].request.len, 0);
    EXPECT_STR(f->t.calls[0].key, key);
    EXPECT_INT(f->t.wake_at, 0);
}

static void expect_waits_until(fixture *f, int64_t due)
{
    EXPECT_STATUS(*f, "waiting");
    EXPECT_INT(f->t.call_count, 0);
    EXPECT_INT(f->t.work_count, 0);
    EXPECT_INT(f->t.wake_at, due);
    EXPECT_INT(f->t.timer_at, due);
    EXPECT(pw_state_moves(f->state));
}

/* ------------------------------------------------------------------ calls */

TEST(attempt, a_call_that_failed_waits_and_is_made_again_with_the_same_key)
{
    fixture f;
    open_with(&f, 2, "  - get: " GET "\n");
    const char *key = fixture_text(&f, f.t.calls[0].key);
    EXPECT(f.t.calls[0].request.len > 0);
    static const int64_t delays[] = { 5000, 10000 };
    for (uint32_t attempt = 1; attempt <= 2; attempt++) {
        fixture_called(&f, 1, attempt, busy);
        EXPECT_TEXT(fixture_entries(&f), "attempt.failed /do/0/get");
        EXPECT_INT(f.t.outcome_count, 1);
        EXPECT_INT(f.t.outcomes[0].state, PW_CALL_FAILED);
        EXPECT_STR(f.t.outcomes[0].key, key);
        EXPECT_INT(f.t.bookmark_count, 0);
        EXPECT(f.t.fault == NULL);
        int64_t due = f.now_ms + delays[attempt - 1];
        expect_waits_until(&f, due);
        fixture_reload(&f);
        fixture_timer(&f, due - 1);
        EXPECT(!f.t.changed);
        fixture_called(&f, 1, attempt, fine); /* too late */
        EXPECT_TEXT(fixture_entries(&f), "call.late");
        fixture_timer(&f, due);
        EXPECT_TEXT(fixture_entries(&f), "attempt.started /do/0/get");
        expect_again(&f, attempt + 1, key);
        fixture_reload(&f);
        EXPECT(pw_state_wants(f.state, 1, attempt + 1));
        EXPECT(!pw_state_wants(f.state, 1, attempt));
    }
    fixture_called(&f, 1, 3, busy);
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_entries(&f), "task.faulted /do/0/get; instance.faulted");
    EXPECT_STR(f.t.fault->kind, "external-call-fault");
    EXPECT_STR(f.t.fault->class_, "server-error");
    EXPECT_INT(f.t.fault->attempt, 3);
    fixture_close(&f);
}

TEST(attempt, the_log_says_what_failed_and_when_the_next_one_is_due)
{
    fixture f;
    open_with(&f, 1, "  - get: " GET "\n");
    fixture_called(&f, 1, 1, busy);
    EXPECT_TEXT(fixture_entry_text(&f, 0),
                "{\"type\":\"attempt.failed\",\"task\":\"/do/0/get\",\"visit\":1,\"attempt\":1,"
                "\"class\":\"server-error\",\"error\":{\"type\":\"https://open-workflow-specification.org/"
                "spec/1.0.0/errors/communication\",\"status\":503,\"title\":\"Service Unavailable\","
                "\"detail\":\"the service answered 503\",\"instance\":\"/do/0/get\"},\"shouldRetry\":true,"
                "\"retryDelayMs\":5000,\"dueAt\":\"2026-09-21T14:13:25.000Z\"}");
    fixture_timer(&f, T0 + 5000);
    EXPECT_TEXT(fixture_entry_text(&f, 0), "{\"type\":\"attempt.started\",\"task\":\"/do/0/get\",\"visit\":1,"
                                           "\"attempt\":2}");
    fixture_called(&f, 1, 2, fine);
    EXPECT_TEXT(fixture_entries(&f), "task.completed /do/0/get; instance.completed");
    EXPECT_TEXT(fixture_member(&f, fixture_entry_text(&f, 0), "attempt"), "2");
    EXPECT_TEXT(fixture_member(&f, fixture_entry_text(&f, 0), "durationMs"), "5000");
    fixture_close(&f);
}

TEST(attempt, which_failures_of_a_call_are_tried_again_is_by_their_class)
{
    static const struct {
        pw_call_result result;
        const char *class_;
        bool again;
        pw_call_state state;
        const char *status;
    } rows[] = {
        { { .answered = true, .status = 408 }, "timeout", true, PW_CALL_FAILED, "408" },
        { { .answered = true, .status = 429 }, "throttled", true, PW_CALL_FAILED, "429" },
        { { .answered = true, .status = 500 }, "server-error", true, PW_CALL_FAILED, "500" },
        { { .answered = true, .status = 599 }, "server-error", true, PW_CALL_FAILED, "599" },
        { { .answered = true, .status = 400 }, "client-error", false, PW_CALL_FAILED, "400" },
        { { .answered = true, .status = 499 }, "client-error", false, PW_CALL_FAILED, "499" },
        { { .answered = true, .status = 302 }, "malformed-answer", false, PW_CALL_FAILED, "302" },
        { { .timed_out = true, .class_ = PW_CLASS_TIMEOUT }, "timeout", true, PW_CALL_TIMED_OUT, "504" },
        { { .class_ = PW_CLASS_CONNECTION }, "connection", true, PW_CALL_FAILED, "500" },
        { { .class_ = PW_CLASS_MALFORMED }, "malformed-answer", false, PW_CALL_FAILED, "502" },
        { { .class_ = PW_CLASS_FORBIDDEN, .unsent = true }, "forbidden-address", false, PW_CALL_FAILED, "403" },
        { { .class_ = PW_CLASS_OPEN, .unsent = true }, "circuit-open", false, PW_CALL_FAILED, "503" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        open_with(&f, 1, "  - get: " GET "\n");
        fixture_called(&f, 1, 1, rows[i].result);
        EXPECT_INT(f.t.outcomes[0].state, rows[i].state);
        EXPECT_TEXT(pw_status_name(f.t.status), rows[i].again ? "waiting" : "faulted");
        const char *entry = fixture_entry_text(&f, 0);
        const char *error = fixture_member(&f, entry, "error");
        EXPECT_TEXT(fixture_member(&f, error, "status"), rows[i].status);
        EXPECT_CONTAINS(error, "errors/communication");
        if (rows[i].again)
            EXPECT_TEXT(fixture_member(&f, entry, "class"), rows[i].class_);
        else
            EXPECT_STR(f.t.fault->class_, rows[i].class_);
        fixture_close(&f);
    }
}

TEST(attempt, an_answer_that_cannot_be_read_is_not_asked_for_again)
{
    fixture f;
    open_with(&f, 1, "  - get: " GET "\n");
    static const pw_header json = { { "content-type", 12 }, { "application/json", 16 } };
    fixture_called(&f, 1, 1,
                   (pw_call_result){ .answered = true,
                                     .status = 200,
                                     .headers = &json,
                                     .header_count = 1,
                                     .body = PW_LIT("{") });
    EXPECT_STATUS(f, "faulted");
    EXPECT_STR(f.t.fault->class_, "malformed-answer");
    EXPECT_STR(f.t.fault->kind, "external-call-fault");
    fixture_close(&f);
}

TEST(attempt, what_a_service_asks_for_is_waited_up_to_the_longest_delay)
{
    static const struct {
        const char *text;
        int64_t delay;
    } rows[] = {
        { "7", 7000 },     { "0", 5000 },
        { "3", 5000 }, /* the policy's is longer */
        { "600", 60000 }, { "99999999999999", 5000 },
        { "-1", 5000 },   { "7s", 5000 },
        { "", 5000 },     { "Mon, 21 Sep 2026 14:13:51 GMT", 31000 },
        { "Mon, 21 Sep 2026 14:13:51 UTC", 5000 },
        { "Mon, 21 Foo 2026 14:13:51 GMT", 5000 },
        { "Mon, 21 Sep 2026 14:13:00 GMT", 5000 }, /* over */
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        open_with(&f, 1, "  - get: " GET "\n");
        const pw_header header = { PW_LIT("retry-after"), pw_str_of(rows[i].text) };
        fixture_called(&f, 1, 1,
                       (pw_call_result){
                           .answered = true, .status = 503, .headers = &header, .header_count = 1 });
        if (f.t.wake_at != T0 + rows[i].delay)
            fail_msg("'%s': %lld", rows[i].text, (long long)(f.t.wake_at - T0));
        fixture_close(&f);
    }
}

TEST(attempt, without_a_delay_the_next_one_is_in_the_same_step)
{
    fixture f;
    fixture_open(&f, "  - get: " GET "\n");
    fixture_retries(&f, 1);
    pawl_error err;
    EXPECT_OK(pw_fault_policy_set(&f.faults, PW_LIT("external-call:server-error"),
                                  PW_LIT("retry-at-once"), &err),
              err);
    fixture_start(&f, "null");
    const char *key = fixture_text(&f, f.t.calls[0].key);
    fixture_called(&f, 1, 1, busy);
    EXPECT_TEXT(fixture_entries(&f), "attempt.failed /do/0/get; attempt.started /do/0/get");
    EXPECT_INT(f.t.outcome_count, 1);
    EXPECT_INT(f.t.outcomes[0].state, PW_CALL_FAILED);
    expect_again(&f, 2, key);
    EXPECT_TEXT(fixture_member(&f, fixture_entry_text(&f, 0), "retryDelayMs"), "0");
    EXPECT_TEXT(fixture_member(&f, fixture_entry_text(&f, 0), "dueAt"), "(absent)");
    fixture_close(&f);
}

TEST(attempt, the_delay_is_of_the_instance_s_own_seed)
{
    int64_t due[2];
    for (size_t i = 0; i < 2; i++) {
        fixture f;
        fixture_open(&f, "  - get: " GET "\n");
        f.settings.faults = NULL; /* as it is by itself: full jitter */
        fixture_start(&f, "null");
        pw_event event = { .kind = PW_EVENT_CALL_RESULT, .now_ms = T0, .visit = 1, .attempt = 1, .call = busy };
        event.seed = 100 + i;
        fixture_event(&f, &event);
        due[i] = f.t.wake_at;
        EXPECT(due[i] >= T0 && due[i] <= T0 + 5000);
        pw_transition first = f.t;
        f.state = NULL;
        f.steps = 0;
        fixture_start(&f, "null");
        fixture_event(&f, &event);
        EXPECT(pw_str_eq(first.state_text, f.t.state_text));
        EXPECT(pw_str_eq(first.entries, f.t.entries));
        fixture_close(&f);
    }
    EXPECT(due[0] != due[1]);
}

/* ------------------------------------------------------------------ order: try, policy, race */

TEST(attempt, a_try_that_catches_the_error_goes_first)
{
    fixture f;
    open_with(&f, 5, "  - safe:\n"
                     "      try: [ { get: " GET " } ]\n"
                     "      catch: { errors: { with: { status: 503 } }, retry: { delay: PT1S, limit: { "
                     "attempt: { count: 1 } } } }\n");
    const char *key = fixture_text(&f, f.t.calls[0].key);
    fixture_called(&f, 2, 1, busy);
    EXPECT_TEXT(fixture_entries(&f), "task.faulted /do/0/safe/try/0/get; task.retried /do/0/safe");
    EXPECT_INT(f.t.wake_at, T0 + 1000);
    EXPECT_INT(f.t.bookmark_count, 1);
    fixture_reload(&f);
    fixture_timer(&f, T0 + 1000);
    EXPECT_STR(f.t.calls[0].key, key);
    EXPECT_INT(f.t.calls[0].attempt, 1);
    EXPECT(!f.t.calls[0].again);
    /* the try has no more: now it is the policy's, from the first attempt */
    fixture_called(&f, 3, 1, busy);
    EXPECT_TEXT(fixture_entries(&f), "attempt.failed /do/0/safe/try/0/get");
    expect_waits_until(&f, T0 + 6000);
    fixture_close(&f);
}

TEST(attempt, a_try_that_does_not_catch_it_leaves_it_to_the_policy)
{
    fixture f;
    open_with(&f, 1, "  - safe:\n"
                     "      try: [ { get: " GET " } ]\n"
                     "      catch: { errors: { with: { status: 404 } }, do: [ { x: { set: { y: 1 } } } ] }\n");
    fixture_called(&f, 2, 1, busy);
    expect_waits_until(&f, T0 + 5000);
    fixture_reload(&f);
    fixture_timer(&f, T0 + 5000);
    fixture_called(&f, 2, 2, (pw_call_result){ .answered = true, .status = 404 });
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"y\":1}");
    fixture_close(&f);
}

/* That a machine has died is no outcome of the task. */
TEST(attempt, what_was_lost_is_a_try_s_only_when_no_attempt_is_left)
{
    fixture f;
    open_with(&f, 1, "  - safe: { try: [ { a: { call: work } } ], catch: { do: [ { x: { set: { y: 1 } } } ] } }\n");
    fixture_lost(&f, 2, 1);
    EXPECT_TEXT(fixture_entries(&f), "attempt.lost /do/0/safe/try/0/a; attempt.started /do/0/safe/try/0/a");
    fixture_reload(&f);
    fixture_lost(&f, 2, 2);
    EXPECT_OUTPUT(f, "{\"y\":1}");
    fixture_close(&f);

    open_with(&f, 1, "  - safe: { try: [ { get: " GET " } ], catch: { do: [ { x: { set: { y: 1 } } } ] } }\n");
    const char *key = fixture_text(&f, f.t.calls[0].key);
    lost(&f, 2, 1);
    expect_again(&f, 2, key);
    fixture_close(&f);

    /* nor is it an error that a condition could mean; the task's own number of retries holds */
    open_with(&f, 5, "  - a: { call: work, metadata: { pawl: { resilience: { retry: { when: '${ .status == 503 }', delay: "
                     "PT9S, limit: { attempt: { count: 1 } } } } } } }\n");
    fixture_lost(&f, 1, 1);
    EXPECT_TEXT(fixture_entry_text(&f, 0), "{\"type\":\"attempt.lost\",\"task\":\"/do/0/a\",\"visit\":1,\"attempt\":1,"
                                           "\"class\":\"attempt-lost\",\"shouldRetry\":true,\"retryDelayMs\":0}");
    EXPECT_INT(f.t.work_count, 1);
    fixture_lost(&f, 1, 2);
    EXPECT_STATUS(f, "faulted");
    fixture_close(&f);
}

TEST(attempt, a_condition_of_a_try_that_fails_is_the_error_then)
{
    fixture f;
    open_with(&f, 0, "  - safe:\n"
                     "      try: [ { get: " GET " } ]\n"
                     "      catch: { when: '${ .status.no }' }\n");
    fixture_called(&f, 2, 1, busy);
    EXPECT_STATUS(f, "faulted");
    EXPECT_STR(f.t.fault->class_, "argument");
    EXPECT_STR(f.t.fault->kind, "activity-fault");
    EXPECT_CONTAINS(fixture_text(&f, f.t.error), "errors/expression");
    EXPECT_CONTAINS(fixture_entry_text(&f, 0), "\"status\":503"); /* of the task */
    fixture_close(&f);
}

#define RACE                                                                                       \
    "  - race:\n"                                                                                  \
    "      fork:\n"                                                                                \
    "        compete: true\n"                                                                      \
    "        branches:\n"                                                                          \
    "          - a: " GET "\n"                                                                     \
    "          - b: { call: work }\n"

TEST(attempt, in_a_race_a_branch_is_out_only_when_no_attempt_is_left)
{
    fixture f;
    open_with(&f, 1, RACE);
    fixture_called(&f, 2, 1, busy);
    EXPECT_TEXT(fixture_entries(&f), "attempt.failed /do/0/race/fork/branches/0/a");
    EXPECT_INT(f.t.wake_at, 0); /* b works */
    EXPECT_INT(f.t.timer_at, T0 + 5000);
    fixture_reload(&f);
    fixture_timer(&f, T0 + 5000);
    fixture_called(&f, 2, 2, busy);
    EXPECT_TEXT(fixture_entries(&f), "task.faulted /do/0/race/fork/branches/0/a");
    EXPECT_STATUS(f, "waiting");
    fixture_reload(&f);
    failed(&f, 3, 1, "{\"status\":418}", PW_RETRY_NO, 0);
    EXPECT_STATUS(f, "faulted");
    EXPECT_STR(f.t.fault->task, "/do/0/race/fork/branches/1/b");
    fixture_close(&f);
}

TEST(attempt, the_loser_of_a_race_waits_for_nothing_any_more)
{
    fixture f;
    open_with(&f, 1, RACE);
    fixture_called(&f, 2, 1, busy);
    fixture_reload(&f);
    fixture_result(&f, 3, 1, "\"won\"");
    EXPECT_STATUS(f, "completed");
    EXPECT_INT(f.t.outcome_count, 0); /* its call has ended already */
    EXPECT_INT(f.t.bookmark_end_count, 0);
    EXPECT_TEXT(fixture_entries(&f),
                "task.completed /do/0/race/fork/branches/1/b; task.cancelled "
                "/do/0/race/fork/branches/0/a; task.completed /do/0/race; instance.completed");
    fixture_close(&f);
}

TEST(attempt, the_timeout_of_the_task_ends_the_wait_and_is_never_tried_again)
{
    fixture f;
    open_with(&f, 5,
              "  - get: { call: http, with: { method: get, endpoint: 'http://x/' }, timeout: { after: PT7S } }\n");
    fixture_called(&f, 1, 1, busy);
    EXPECT_INT(f.t.wake_at, T0 + 5000);
    fixture_timer(&f, T0 + 5000);
    EXPECT_INT(f.t.timer_at, T0 + 7000);
    f.now_ms = T0 + 6000;
    fixture_called(&f, 1, 2, busy);
    EXPECT_INT(f.t.wake_at, T0 + 7000);
    fixture_reload(&f);
    fixture_timer(&f, T0 + 7000);
    EXPECT_STATUS(f, "faulted");
    EXPECT_CONTAINS(fixture_text(&f, f.t.error), "errors/timeout");
    EXPECT_STR(f.t.fault->class_, "timeout");
    EXPECT_INT(f.t.fault->attempt, 2);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ activities */

TEST(attempt, of_an_activity_is_by_what_its_worker_says_else_by_its_status)
{
    static const struct {
        const char *error;
        unsigned retry;
        const char *class_;
        bool again;
    } rows[] = {
        { "{\"status\":500}", PW_RETRY_BY_CLASS, "other", true },
        { "{\"status\":400}", PW_RETRY_BY_CLASS, "argument", false },
        { "{\"status\":409}", PW_RETRY_BY_CLASS, "invalid-state", false },
        { "{\"status\":403}", PW_RETRY_BY_CLASS, "not-authorized", false },
        { "{\"status\":501}", PW_RETRY_BY_CLASS, "not-supported", false },
        { "{\"status\":408}", PW_RETRY_BY_CLASS, "timeout", true },
        { "{\"status\":400}", PW_RETRY_YES, "other", true },
        { "{\"status\":500}", PW_RETRY_NO, "business", false },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        open_with(&f, 1, "  - a: { call: work }\n");
        failed(&f, 1, 1, rows[i].error, rows[i].retry, 0);
        EXPECT_TEXT(pw_status_name(f.t.status), rows[i].again ? "waiting" : "faulted");
        if (rows[i].again) {
            EXPECT_TEXT(fixture_member(&f, fixture_entry_text(&f, 0), "class"), rows[i].class_);
            expect_waits_until(&f, T0 + 1000);
        } else {
            EXPECT_STR(f.t.fault->class_, rows[i].class_);
            EXPECT_STR(f.t.fault->kind, "activity-fault");
            EXPECT_INT(f.t.fault->attempt, 1);
        }
        fixture_close(&f);
    }
}

TEST(attempt, a_worker_who_says_that_none_helps_is_heard_whatever_the_table_says)
{
    fixture f;
    fixture_open(&f, "  - a: { call: work }\n");
    fixture_retries(&f, 5);
    pawl_error err;
    EXPECT_OK(pw_fault_policy_set(&f.faults, PW_LIT("activity:business"), PW_LIT("retry"), &err), err);
    fixture_start(&f, "null");
    failed(&f, 1, 1, "{\"status\":500}", PW_RETRY_NO, 0);
    EXPECT_STATUS(f, "faulted");
    fixture_close(&f);
}

TEST(attempt, a_worker_says_how_long_to_wait_and_the_next_one_hears_of_the_error)
{
    fixture f;
    open_with(&f, 2, "  - a: { call: work, with: { n: 1 } }\n");
    const char *key = fixture_text(&f, f.t.work[0].key);
    failed(&f, 1, 1, "{\"status\":500,\"title\":\"no\"}", PW_RETRY_YES, 20000);
    expect_waits_until(&f, T0 + 20000);
    pw_work work;
    EXPECT(!pw_state_work_of(&work, f.state, f.program, 1, &f.arena));
    fixture_reload(&f);
    fixture_timer(&f, T0 + 20000);
    EXPECT_INT(f.t.work_count, 1);
    EXPECT_INT(f.t.work[0].attempt, 2);
    EXPECT_STR(f.t.work[0].key, key);
    EXPECT_STR(f.t.work[0].input, "{\"n\":1}");
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.work[0].last_error), "title"), "no");
    fixture_reload(&f);
    fixture_lost(&f, 1, 2); /* at once */
    EXPECT_TEXT(fixture_entries(&f), "attempt.lost /do/0/a; attempt.started /do/0/a");
    EXPECT_INT(f.t.work[0].attempt, 3);
    EXPECT_STR(f.t.work[0].last_error, "");
    fixture_reload(&f);
    fixture_lost(&f, 1, 3);
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_entries(&f), "attempt.lost /do/0/a; task.faulted /do/0/a; instance.faulted");
    EXPECT_STR(f.t.fault->class_, "attempt-lost");
    EXPECT_INT(f.t.fault->attempt, 3);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ what a task says itself */

TEST(attempt, a_task_s_own_retries_are_instead_of_the_policy_s)
{
    fixture f;
    open_with(&f, 5, "  - get: " SAID("{ retry: { delay: PT3S, limit: { attempt: { count: 1 } } } }") "\n");
    fixture_called(&f, 1, 1, busy);
    expect_waits_until(&f, T0 + 3000);
    fixture_timer(&f, T0 + 3000);
    fixture_called(&f, 1, 2, busy);
    EXPECT_STATUS(f, "faulted");
    fixture_close(&f);
}

TEST(attempt, conditions_of_its_retries_see_the_error)
{
    static const struct {
        const char *tasks, *status, *class_;
    } rows[] = {
        { "  - get: " SAID("{ retry: { when: '${ .status == 503 }', delay: PT3S } }") "\n", "waiting", NULL },
        { "  - get: " SAID("{ retry: { when: '${ .status == 500 }', delay: PT3S } }") "\n", "faulted",
          "server-error" },
        { "  - get: " SAID("{ retry: { exceptWhen: '${ .status == 503 }', delay: PT3S } }") "\n", "faulted",
          "server-error" },
        { "  - get: " SAID("{ retry: { when: '${ .status.no }', delay: PT3S } }") "\n", "faulted", "argument" },
        { "  - get: " SAID("{ retry: { delay: '${ .no.way }' } }") "\n", "faulted", "argument" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        open_with(&f, 5, rows[i].tasks);
        fixture_called(&f, 1, 1, busy);
        EXPECT_TEXT(pw_status_name(f.t.status), rows[i].status);
        if (rows[i].class_)
            EXPECT_STR(f.t.fault->class_, rows[i].class_);
        fixture_close(&f);
    }
}

#define CALLS_F(said, body)                                                                        \
    "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\n"                  \
    "use: { functions: { f: " body " } }\n"                                                        \
    "do:\n"                                                                                        \
    "  - a: { call: f, with: { d: PT9S }, metadata: { pawl: { resilience: " said " } } }\n"

TEST(attempt, what_a_call_of_a_function_says_holds_for_its_body)
{
    fixture f;
    open_with(&f, 5, CALLS_F("{ retry: { delay: PT3S }, timeout: PT2S, circuitBreaker: { failures: 3 } }",
                             "{ do: [ { get: " GET " } ] }"));
    EXPECT_INT(f.t.calls[0].timeout_ms, 2000);
    EXPECT_INT(f.t.calls[0].resilience->failures, 3);
    pw_resilience said;
    EXPECT(pw_state_resilience(&said, f.state, f.t.calls[0].visit));
    EXPECT_INT(said.failures, 3);
    uint64_t visit = f.t.calls[0].visit;
    fixture_called(&f, visit, 1, busy);
    expect_waits_until(&f, T0 + 3000);
    EXPECT(!pw_state_resilience(&said, f.state, visit)); /* it is not being called */
    fixture_reload(&f);
    fixture_timer(&f, T0 + 3000);
    EXPECT_INT(f.t.calls[0].timeout_ms, 2000);
    EXPECT_INT(f.t.calls[0].resilience->failures, 3);
    fixture_close(&f);
}

TEST(attempt, the_body_goes_before_the_call_of_its_function)
{
    fixture f;
    open_with(&f, 5,
              CALLS_F("{ retry: { delay: PT3S }, timeout: PT2S, circuitBreaker: { name: outer, failures: 3 }, "
                      "onUnknownOutcome: ask, bulkhead: { maxConcurrent: 4 } }",
                      SAID("{ retry: { delay: PT4S }, circuitBreaker: { name: inner } }")));
    const pw_resilience *said = f.t.calls[0].resilience;
    EXPECT_STR(said->service, "inner");
    EXPECT_INT(said->failures, 3);
    EXPECT_INT(said->at_once, 4);
    EXPECT_INT(said->on_unknown, PW_ON_UNKNOWN_ASK);
    EXPECT_INT(f.t.calls[0].timeout_ms, 2000);
    EXPECT(!pw_state_resends(f.state, &f.settings, f.t.calls[0].visit));
    fixture_called(&f, f.t.calls[0].visit, 1, busy);
    expect_waits_until(&f, T0 + 4000);
    fixture_close(&f);
}

TEST(attempt, what_the_body_does_not_say_is_as_the_call_of_its_function_says)
{
    fixture f;
    open_with(&f, 5, CALLS_F("{ retry: { delay: PT3S } }", SAID("{ timeout: PT2S }")));
    EXPECT_INT(f.t.calls[0].timeout_ms, 2000);
    fixture_called(&f, f.t.calls[0].visit, 1, busy);
    expect_waits_until(&f, T0 + 3000);
    fixture_close(&f);
}

TEST(attempt, expressions_of_a_call_of_a_function_are_of_its_caller)
{
    fixture f;
    open_with(&f, 5, CALLS_F("{ retry: { delay: '${ $input.k | \"PT\\(. + 1)S\" }' }, timeout: '${ \"PT\\($input.k)S\" }' }", GET));
    EXPECT_INT(f.t.calls[0].timeout_ms, 1000);
    fixture_called(&f, f.t.calls[0].visit, 1, busy);
    expect_waits_until(&f, T0 + 2000);
    fixture_close(&f);
}

TEST(attempt, one_attempt_has_the_time_that_its_task_says_and_no_more_than_the_task)
{
    static const struct {
        const char *tasks;
        uint64_t timeout_ms;
    } rows[] = {
        { "  - get: " GET "\n", 0 },
        { "  - get: " SAID("{ timeout: PT8S }") "\n", 8000 },
        { "  - get: { call: http, with: { method: get, endpoint: 'http://x/' }, timeout: { after: PT6S }, "
          "metadata: { pawl: { resilience: { timeout: PT8S } } } }\n",
          6000 },
        { "  - get: " SAID("{ timeout: { milliseconds: 1 } }") "\n", 1 },
        { "  - get: " SAID("{ retry: { limit: { attempt: { duration: PT5S } } } }") "\n", 5000 },
        { "  - a: { call: work }\n", 0 },
        { "  - a: { call: work, timeout: { after: PT6S } }\n", 6000 },
        { "  - a: { call: work, metadata: { pawl: { resilience: { timeout: PT8S } } } }\n", 8000 },
        { "  - a: { call: work, timeout: { after: PT6S }, metadata: { pawl: { resilience: { timeout: PT8S } } } }\n",
          6000 },
        { "  - a: { call: work, timeout: { after: PT9S }, metadata: { pawl: { resilience: { timeout: PT8S } } } }\n",
          8000 },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        open_with(&f, 5, rows[i].tasks);
        if (f.t.call_count)
            EXPECT_INT(f.t.calls[0].timeout_ms, rows[i].timeout_ms);
        else
            EXPECT_INT(f.t.work[0].timeout_ms, rows[i].timeout_ms);
        fixture_close(&f);
    }
}

TEST(attempt, its_time_is_the_same_after_a_restart)
{
    fixture f;
    open_with(&f, 5, "  - a: { call: work, metadata: { pawl: { resilience: { timeout: '${ \"PT\\($input.k)S\" }' } } } }\n");
    fixture_lost(&f, 1, 1);
    EXPECT_INT(f.t.work[0].timeout_ms, 1000);
    fixture_reload(&f);
    pw_work work;
    EXPECT(pw_state_work_of(&work, f.state, f.program, 1, &f.arena));
    EXPECT_INT(work.timeout_ms, 1000);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ nobody knows */

TEST(unknown, is_what_was_sent_and_not_answered)
{
    static const struct {
        const pw_call_result *result; /* NULL: it was lost */
        bool unknown;
    } rows[] = { { &silent, true },   { &broken, true }, { NULL, true },
                 { &refused, false }, { &busy, false }, { &too_slow, false } };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        open_with(&f, 1, "  - get: " SAID("{ onUnknownOutcome: fault }") "\n");
        EXPECT(!pw_state_resends(f.state, &f.settings, 1));
        if (rows[i].result)
            fixture_called(&f, 1, 1, *rows[i].result);
        else
            lost(&f, 1, 1);
        EXPECT_INT(f.t.outcome_count, 1);
        EXPECT_TEXT(pw_status_name(f.t.status), rows[i].unknown ? "faulted" : "waiting");
        EXPECT_INT(f.t.outcomes[0].state, rows[i].unknown ? PW_CALL_UNKNOWN : PW_CALL_FAILED);
        if (rows[i].unknown) {
            EXPECT_STR(f.t.fault->class_, "unknown-outcome");
            EXPECT_STR(f.t.fault->kind, "external-call-fault");
            EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "status"), "502");
            EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "title"),
                        "the outcome of the call is unknown");
        }
        fixture_close(&f);
    }
}

TEST(unknown, is_resent_as_any_failure_where_nobody_says_otherwise)
{
    fixture f;
    open_with(&f, 1, "  - get: " GET "\n");
    EXPECT(pw_state_resends(f.state, &f.settings, 1));
    EXPECT(!pw_state_resends(f.state, &f.settings, 2));
    f.settings.on_unknown = PW_ON_UNKNOWN_ASK;
    EXPECT(!pw_state_resends(f.state, &f.settings, 1));
    f.settings.on_unknown = PW_ON_UNKNOWN_RESEND;
    fixture_called(&f, 1, 1, silent);
    EXPECT_INT(f.t.outcomes[0].state, PW_CALL_TIMED_OUT);
    expect_waits_until(&f, T0 + 5000);
    fixture_timer(&f, T0 + 5000);
    lost(&f, 1, 2); /* the definition's word was another one when it was sent */
    EXPECT_STATUS(f, "faulted");
    EXPECT_STR(f.t.fault->class_, "attempt-lost");
    EXPECT_STR(f.t.fault->task, "/do/0/get");
    fixture_close(&f);

    open_with(&f, 1, "  - get: " GET "\n");
    const char *key = fixture_text(&f, f.t.calls[0].key);
    lost(&f, 1, 1);
    EXPECT_INT(f.t.outcomes[0].state, PW_CALL_FAILED);
    expect_again(&f, 2, key);
    lost(&f, 1, 1); /* of an attempt that is over */
    EXPECT(!f.t.changed);
    fixture_close(&f);
}

#define ASKS                                                                                       \
    "  - safe:\n"                                                                                  \
    "      try: [ { get: " SAID("{ onUnknownOutcome: ask }") " } ]\n"                              \
    "      catch: { do: [ { x: { set: { caught: true } } } ] }\n"

TEST(unknown, an_error_may_be_caught_and_a_question_is_a_person_s)
{
    fixture f;
    open_with(&f, 1, "  - safe:\n"
                     "      try: [ { get: " SAID("{ onUnknownOutcome: fault }") " } ]\n"
                     "      catch: { errors: { with: { status: 502 } }, do: [ { x: { set: { caught: true } } } ] }\n");
    fixture_called(&f, 2, 1, silent);
    EXPECT_OUTPUT(f, "{\"caught\":true}");
    EXPECT_INT(f.t.outcomes[0].state, PW_CALL_UNKNOWN);
    fixture_close(&f);

    open_with(&f, 1, ASKS);
    fixture_called(&f, 2, 1, silent);
    EXPECT_STATUS(f, "faulted");
    EXPECT_STR(f.t.fault->class_, "unknown-outcome");
    EXPECT_INT(f.t.fault->attempt, 1);
    fixture_close(&f);
}

TEST(unknown, a_retry_sends_the_same_request_with_the_same_key)
{
    fixture f;
    open_with(&f, 1, ASKS);
    const char *key = fixture_text(&f, f.t.calls[0].key);
    lost(&f, 2, 1);
    EXPECT_STATUS(f, "faulted");
    fixture_reload(&f);
    f.now_ms = T0 + 60000;
    fixture_command(&f, PW_EVENT_RETRY, "ann", "the order is not there");
    EXPECT_STR(f.t.resolution, "retried");
    EXPECT_TEXT(fixture_entries(&f),
                "instance.retried /do/0/safe/try/0/get; attempt.started /do/0/safe/try/0/get");
    expect_again(&f, 1, key);
    EXPECT_INT(f.t.calls[0].visit, 3);
    fixture_reload(&f);
    fixture_called(&f, 2, 1, fine); /* of the visit before */
    EXPECT_TEXT(fixture_entries(&f), "call.late");
    fixture_called(&f, 3, 1, fine);
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

TEST(unknown, its_task_s_timeout_begins_anew_with_the_retry)
{
    fixture f;
    open_with(&f, 1, "  - get: { call: http, with: { method: get, endpoint: 'http://x/' }, timeout: { after: PT30S }, "
                     "metadata: { pawl: { resilience: { onUnknownOutcome: ask, timeout: PT40S } } } }\n");
    EXPECT_INT(f.t.calls[0].timeout_ms, 30000);
    lost(&f, 1, 1);
    f.now_ms = T0 + 60000;
    fixture_command(&f, PW_EVENT_RETRY, "ann", "");
    EXPECT_INT(f.t.timer_at, T0 + 90000);
    EXPECT_INT(f.t.calls[0].timeout_ms, 30000);
    fixture_close(&f);
}

TEST(unknown, is_forgotten_once_it_was_sent_again)
{
    fixture f;
    open_with(&f, 1, ASKS);
    lost(&f, 2, 1);
    fixture_command(&f, PW_EVENT_RETRY, "ann", "");
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    fixture_called(&f, 3, 1, fine);
    EXPECT_STATUS(f, "suspended");
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_OUTPUT(f, "\"MQ==\"");
    fixture_close(&f);
}

TEST(unknown, of_a_suspended_instance_is_a_question_when_it_goes_on)
{
    fixture f;
    open_with(&f, 1, ASKS);
    const char *key = fixture_text(&f, f.t.calls[0].key);
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    lost(&f, 2, 1);
    EXPECT_STATUS(f, "suspended");
    EXPECT_INT(f.t.outcomes[0].state, PW_CALL_UNKNOWN);
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_STATUS(f, "faulted");
    EXPECT_STR(f.t.fault->class_, "unknown-outcome");
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_RETRY, "ann", "");
    expect_again(&f, 1, key);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ asleep */

TEST(asleep, a_failure_is_decided_and_nothing_begins)
{
    fixture f;
    open_with(&f, 1, "  - get: " GET "\n");
    const char *key = fixture_text(&f, f.t.calls[0].key);
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    fixture_called(&f, 1, 1, busy);
    EXPECT_TEXT(fixture_entries(&f), "attempt.failed /do/0/get");
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    fixture_reload(&f);
    fixture_timer(&f, T0 + 5000);
    EXPECT(!f.t.changed);
    fixture_command(&f, PW_EVENT_RETRY, "ann", "");
    EXPECT_INT(f.t.code, PAWL_STATE);
    EXPECT_STR(f.t.message, "the instance is suspended; continue it first");
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    expect_again(&f, 2, key);
    fixture_close(&f);
}

TEST(asleep, the_last_failure_is_kept_with_its_class)
{
    fixture f;
    open_with(&f, 0, "  - get: " GET "\n");
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    fixture_called(&f, 1, 1, busy);
    EXPECT_TEXT(fixture_entries(&f), "result.kept /do/0/get");
    fixture_reload(&f);
    fixture_retries(&f, 5); /* it has been decided */
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_STATUS(f, "faulted");
    EXPECT_STR(f.t.fault->class_, "server-error");
    EXPECT_STR(f.t.fault->kind, "external-call-fault");
    EXPECT_INT(f.t.fault->attempt, 1);
    fixture_close(&f);
}

TEST(asleep, an_error_for_a_try_is_its_own_when_it_goes_on)
{
    fixture f;
    open_with(&f, 5, "  - safe: { try: [ { get: " GET " } ], catch: { do: [ { x: { set: { y: 1 } } } ] } }\n");
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    fixture_called(&f, 2, 1, busy);
    EXPECT_TEXT(fixture_entries(&f), "result.kept /do/0/safe/try/0/get");
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_OUTPUT(f, "{\"y\":1}");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ now, by hand */

TEST(hasten, what_waits_for_its_next_attempt_makes_it_now)
{
    fixture f;
    open_with(&f, 5, "  - both:\n"
                     "      fork:\n"
                     "        branches:\n"
                     "          - a: " GET "\n"
                     "          - b: { call: work }\n"
                     "          - c: { wait: PT1H }\n");
    fixture_command(&f, PW_EVENT_RETRY, "ann", "");
    EXPECT(!f.t.changed);
    EXPECT_INT(f.t.code, PAWL_STATE);
    EXPECT_INT(f.t.reason, PAWL_REASON_NO_INCIDENT);
    fixture_called(&f, 2, 1, busy);
    failed(&f, 3, 1, "{\"status\":500}", PW_RETRY_YES, 0);
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_RETRY, "ann", "it is up again");
    EXPECT_STATUS(f, "waiting");
    EXPECT_TEXT(fixture_entries(&f), "instance.retried; attempt.started "
                                     "/do/0/both/fork/branches/0/a; attempt.started "
                                     "/do/0/both/fork/branches/1/b");
    EXPECT_TEXT(fixture_entry_text(&f, 0),
                "{\"type\":\"instance.retried\",\"by\":\"ann\",\"reason\":\"it is up again\"}");
    EXPECT_INT(f.t.call_count, 1);
    EXPECT_INT(f.t.work_count, 1);
    EXPECT_STR(f.t.resolution, "");
    EXPECT_INT(f.t.timer_at, T0 + 3600000);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ what is told */

TEST(told, the_wait_for_the_next_attempt_says_when_and_why)
{
    fixture f;
    open_with(&f, 5, "  - both: { fork: { branches: [ { a: " GET " }, { b: { call: work } } ] } }\n");
    fixture_called(&f, 2, 1, busy);
    failed(&f, 3, 1, "{\"status\":500,\"title\":\"no\"}", PW_RETRY_YES, 0);
    fixture_reload(&f);
    pw_value waits = pw_state_waits(f.state, f.program, &f.arena);
    EXPECT_INT(waits.count, 2);
    EXPECT_TEXT(fixture_text(&f, pw_json_text(&f.arena, pw_item(waits, 0), PW_JSON_COMPACT)),
                "{\"kind\":\"call\",\"task\":\"/do/0/both/fork/branches/0/a\",\"name\":\"a\",\"visit\":2,"
                "\"attempt\":2,\"since\":\"2026-09-21T14:13:20.000Z\",\"dueAt\":\"2026-09-21T14:13:25.000Z\","
                "\"class\":\"server-error\",\"error\":{\"type\":\"https://open-workflow-specification.org/spec/"
                "1.0.0/errors/communication\",\"status\":503,\"title\":\"Service Unavailable\",\"detail\":\"the "
                "service answered 503\",\"instance\":\"/do/0/both/fork/branches/0/a\"}}");
    EXPECT_TEXT(fixture_text(&f, pw_json_text(&f.arena, pw_item(waits, 1), PW_JSON_COMPACT)),
                "{\"kind\":\"activity\",\"task\":\"/do/0/both/fork/branches/1/b\",\"name\":\"b\",\"visit\":3,"
                "\"function\":\"work\",\"attempt\":2,\"since\":\"2026-09-21T14:13:20.000Z\",\"dueAt\":"
                "\"2026-09-21T14:13:21.000Z\",\"class\":\"other\",\"error\":{\"type\":\"https://open-workflow-"
                "specification.org/spec/1.0.0/errors/runtime\",\"status\":500,\"title\":\"no\",\"instance\":"
                "\"/do/0/both/fork/branches/1/b\"}}");
    fixture_resume(&f, fixture_text(&f, f.state->root->child->child->key), "null", "ann");
    EXPECT_INT(f.t.code, PAWL_NOT_FOUND); /* the idempotency key is no bookmark */
    fixture_close(&f);
}

TEST(told, the_next_attempt_is_a_lifecycle_event)
{
    fixture f;
    open_with(&f, 1, "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0', metadata: { pawl: "
                     "{ lifecycle: { tasks: [ retried ] } } } }\n"
                     "do: [ { get: " GET " } ]\n");
    fixture_called(&f, 1, 1, busy);
    EXPECT_INT(f.t.event_count, 0);
    fixture_timer(&f, T0 + 5000);
    EXPECT_TEXT(fixture_events(&f), "task.retried /do/0/get 1");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ wide forks */

TEST(wide, those_whose_next_attempt_is_due_are_woken_and_no_others)
{
    fixture f;
    open_with(&f, 5, "  - all:\n"
                     "      fork:\n"
                     "        branches: [ { a: " GET " }, { b: " GET " }, { c: " GET " }, { d: " GET
                     " }, { e: { call: work } }, { f: { call: work } }, { g: { wait: PT1H } }, { h: { call: "
                     "userTask, with: { key: k } } } ]\n");
    const char *key = fixture_text(&f, f.t.calls[1].key);
    fixture_called(&f, 3, 1, busy); /* b */
    EXPECT_INT(f.t.branch_count, 1);
    failed(&f, 7, 1, "{\"status\":500}", PW_RETRY_YES, 0); /* f, in 1 s */
    fixture_reload(&f);
    EXPECT_INT(pw_state_timer(f.state, &f.settings), T0 + 1000);
    fixture_timer(&f, T0 + 1000);
    EXPECT_INT(f.t.branch_count, 1);
    EXPECT_INT(f.t.branches[0].number, 5);
    EXPECT_INT(f.t.work[0].attempt, 2);
    fixture_reload(&f);
    fixture_called(&f, 2, 1, busy); /* a, due at 6 s */
    fixture_reload(&f);
    fixture_timer(&f, T0 + 5000);
    EXPECT_INT(f.t.branch_count, 1);
    EXPECT_INT(f.t.branches[0].number, 1);
    expect_again(&f, 2, key);
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_RETRY, "ann", "");
    EXPECT_INT(f.t.branch_count, 1);
    EXPECT_INT(f.t.branches[0].number, 0);
    fixture_command(&f, PW_EVENT_RETRY, "ann", "");
    EXPECT_INT(f.t.reason, PAWL_REASON_NO_INCIDENT);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ stored */

TEST(stored, a_wait_for_the_next_attempt_that_breaks_a_promise_is_corrupt)
{
    fixture f;
    open_with(&f, 5, "  - a: { call: work, metadata: { pawl: { resilience: { timeout: PT8S } } } }\n");
    failed(&f, 1, 1, "{\"status\":500}", PW_RETRY_YES, 0);
    static const struct {
        const char *what, *by;
        pawl_code code;
    } rows[] = {
        { "\"n\":1,", "\"n\":2,", PAWL_OK },
        { "\"n\":1,", "", PAWL_CORRUPT },
        { "\"l\":8000,", "\"l\":-1,", PAWL_CORRUPT },
        { "\"cl\":\"other\",", "\"cl\":\"odd\",", PAWL_CORRUPT },
        { "\"cl\":\"other\",", "", PAWL_OK },
        { "\"d\":1790000001000,", "", PAWL_CORRUPT },
        { "\"e\":{", "\"ee\":{", PAWL_CORRUPT },
        { "\"a\":{}", "\"aa\":{}", PAWL_CORRUPT },
        { "\"k\":\"", "\"kk\":\"", PAWL_CORRUPT },
    };
    const char *text = fixture_text(&f, f.t.state_text);
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        const char *at = strstr(text, rows[i].what);
        if (!at)
            fail_msg("no %s in %s", rows[i].what, text);
        pw_str changed = pw_arena_printf(&f.arena, "%.*s%s%s", (int)(at - text), text, rows[i].by,
                                         at + strlen(rows[i].what));
        pw_state *state;
        pawl_error err;
        pawl_code code = pw_state_parse(&state, changed, f.program, NULL, &f.arena, &err);
        if (code != rows[i].code)
            fail_msg("%s for %s: %s", rows[i].by, rows[i].what, pawl_code_name(code));
    }
    fixture_close(&f);
}

TEST(stored, a_copy_waits_for_the_same)
{
    fixture f;
    open_with(&f, 5, "  - get: " GET "\n");
    fixture_called(&f, 1, 1, busy);
    pw_state *copy;
    pawl_error err;
    EXPECT_OK(pw_state_copy(&copy, f.state, &f.arena, &err), err);
    f.state = copy;
    fixture_timer(&f, T0 + 5000);
    EXPECT_INT(f.t.call_count, 1);
    EXPECT_INT(f.t.calls[0].attempt, 2);
    fixture_close(&f);
}

TEST_MAIN()
