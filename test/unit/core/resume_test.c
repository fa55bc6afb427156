/* Bookmarks of every kind by their keys, starts at a time, attempts that may be repeated, and what
 * is said of a command that is refused or was done before. */
#include "fixture.h"

static pw_event resume_of(fixture *f, const char *key, const char *data)
{
    pw_event event = { .kind = PW_EVENT_RESUME,
                       .now_ms = f->now_ms,
                       .key = pw_str_of(key),
                       .actor = PW_LIT("ann") };
    pawl_error err;
    EXPECT_OK(pw_json_parse(&event.payload, pw_str_of(data), NULL, &f->arena, &err), err);
    return event;
}

static void resume_as(fixture *f, const char *key, const char *task, const char *kind)
{
    pw_event event = resume_of(f, key, "null");
    event.task = pw_str_of(task);
    event.bookmark = pw_str_of(kind);
    fixture_event(f, &event);
}

static void expect_refused(fixture *f, pawl_code code, pawl_reason reason, const char *message)
{
    EXPECT(!f->t.changed);
    EXPECT(!f->t.repeated);
    EXPECT_INT(f->t.code, code);
    EXPECT_INT(f->t.reason, reason);
    EXPECT_STR(f->t.message, message);
}

static const char *entry_text(fixture *f, size_t at)
{
    return fixture_text(f, pw_json_text(&f->arena, fixture_entry(f, at), PW_JSON_COMPACT));
}

static const char *waits_text(fixture *f)
{
    pw_value waits = pw_state_waits(f->state, f->program, &f->arena);
    return fixture_text(f, pw_json_text(&f->arena, waits, PW_JSON_COMPACT));
}

/* SHA-256 of the length of "null", in 8 bytes, and it */
#define DIGEST_OF_NULL "8e53a1afaf1a7a48d29c1aaf819a64b5c2bea75ba0609d81900a0a61ad8a59ed"

/* ------------------------------------------------------------------ what is expected */

TEST(resume, the_task_and_kind_that_are_expected_must_be_the_bookmark_s)
{
    fixture f;
    fixture_open(&f, "  - ask: { call: userTask }\n");
    fixture_start(&f, "null");
    resume_as(&f, "ask", "", "");
    expect_refused(&f, PAWL_NOT_FOUND, PAWL_REASON_NO_BOOKMARK,
                   "no open bookmark has the key 'ask'");
    resume_as(&f, "ask-1", "/do/1/ask", "");
    expect_refused(&f, PAWL_CONFLICT, PAWL_REASON_WRONG_TASK,
                   "'ask-1' belongs to the task /do/0/ask, not to /do/1/ask");
    resume_as(&f, "ask-1", "/do/0/ask", "timer");
    expect_refused(&f, PAWL_CONFLICT, PAWL_REASON_WRONG_KIND,
                   "'ask-1' is of the kind user-action, not timer");
    resume_as(&f, "ask-1", "/do/0/ask", "user-action");
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

TEST(resume, of_two_bookmarks_with_one_key_the_expected_one_is_answered)
{
    fixture f;
    fixture_open(&f, "  - both:\n"
                     "      fork:\n"
                     "        branches:\n"
                     "          - a: { call: userTask, with: { key: k } }\n"
                     "          - b: { call: userTask, with: { key: k } }\n");
    fixture_start(&f, "null");
    resume_as(&f, "k", "/do/0/both/fork/branches/1/b", "");
    EXPECT_TEXT(fixture_entries(&f), "bookmark.consumed /do/0/both/fork/branches/1/b; "
                                     "task.completed /do/0/both/fork/branches/1/b");
    resume_as(&f, "k", "", "");
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ timers */

TEST(resume, a_timer_is_over_when_somebody_says_so)
{
    fixture f;
    fixture_open(&f, "  - nap: { wait: PT1H }\n  - on: { set: '${ . + {awake: true} }' }\n");
    fixture_start(&f, "{\"k\":1}");
    fixture_reload(&f);
    EXPECT_TEXT(waits_text(&f),
                "[{\"kind\":\"timer\",\"task\":\"/do/0/nap\",\"name\":\"nap\","
                "\"visit\":1,\"key\":\"nap-1\",\"since\":\"2026-09-21T14:13:20.000Z\","
                "\"dueAt\":\"2026-09-21T15:13:20.000Z\"}]");
    pw_event event = resume_of(&f, "nap-1", "{}");
    fixture_event(&f, &event);
    expect_refused(&f, PAWL_INVALID, PAWL_REASON_BAD_ANSWER,
                   "'nap-1' is a timer, which takes no data");
    resume_as(&f, "nap-1", "/do/0/nap", "timer");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"k\":1,\"awake\":true}");
    EXPECT_TEXT(
        entry_text(&f, 0),
        "{\"type\":\"bookmark.consumed\",\"task\":\"/do/0/nap\",\"visit\":1,\"key\":\"nap-1\","
        "\"by\":\"ann\",\"dueAt\":\"2026-09-21T15:13:20.000Z\"}");
    EXPECT_INT(f.t.bookmark_end_count, 1);
    EXPECT(f.t.bookmark_ends[0].consumed);
    EXPECT_STR(f.t.bookmark_ends[0].by, "ann");
    EXPECT_STR(f.t.bookmark_ends[0].digest, DIGEST_OF_NULL);
    fixture_close(&f);
}

TEST(resume, a_timer_that_is_over_while_suspended_goes_on_later)
{
    fixture f;
    fixture_open(&f, "  - nap: { wait: PT1H }\n");
    fixture_start(&f, "{\"k\":1}");
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    resume_as(&f, "nap-1", "", "");
    EXPECT_TEXT(fixture_entries(&f), "bookmark.consumed /do/0/nap; result.kept /do/0/nap");
    EXPECT_INT(f.t.bookmark_end_count, 1);
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"k\":1}");
    EXPECT_INT(f.t.bookmark_end_count, 0);
    fixture_close(&f);
}

TEST(resume, a_retry_is_made_at_once)
{
    fixture f;
    fixture_open(&f, "  - safe:\n"
                     "      try: [ { a: { call: work } } ]\n"
                     "      catch: { retry: { delay: PT1H, limit: { attempt: { count: 2 } } } }\n");
    fixture_start(&f, "null");
    fixture_failed(&f, 2, 1, "{\"status\":500}");
    EXPECT_STR(f.t.bookmarks[0].key, "safe-1-retry-1");
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    resume_as(&f, "safe-1-retry-1", "", "");
    expect_refused(&f, PAWL_STATE, PAWL_REASON_NONE,
                   "the instance is suspended; continue it first");
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    resume_as(&f, "safe-1-retry-1", "", "timer");
    EXPECT_TEXT(fixture_entries(&f), "bookmark.consumed /do/0/safe; task.started /do/0/safe; "
                                     "task.started /do/0/safe/try/0/a");
    EXPECT_INT(f.t.work_count, 1);
    EXPECT_INT(f.t.bookmark_end_count, 1);
    EXPECT_INT(f.t.timer_at, PW_WAKE_NEVER);
    fixture_result(&f, 3, 1, "1");
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

TEST(resume, what_is_no_user_task_is_an_operator_s)
{
    fixture f;
    fixture_open(&f, "  - nap: { wait: PT1H }\n");
    fixture_start(&f, "null");
    pw_event event = resume_of(&f, "nap-1", "null");
    event.restricted = true;
    fixture_event(&f, &event);
    expect_refused(&f, PAWL_DENIED, PAWL_REASON_NOT_YOURS,
                   "'nap-1' is no user task; only an operator may answer it");
    fixture_close(&f);
}

TEST(resume, a_schedule_keeps_to_its_times)
{
    fixture f;
    fixture_open(&f, "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\n"
                     "schedule: { every: PT1H }\n"
                     "do: [ { a: { set: { n: 1 } } } ]\n");
    pw_event event = {
        .kind = PW_EVENT_START, .now_ms = T0, .schedule = true, .payload = pw_null()
    };
    fixture_event(&f, &event);
    EXPECT_STR(f.t.bookmarks[0].key, "timer");
    resume_as(&f, "timer", "", "");
    EXPECT(!f.t.changed);
    EXPECT_INT(f.t.code, PAWL_STATE);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ messages by hand */

#define EVENT(type, data)                                                                          \
    "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/x\",\"type\":\"" type "\",\"data\":" data \
    "}"

TEST(resume, a_listen_takes_an_event_by_hand)
{
    fixture f;
    fixture_open(
        &f, "  - hear: { listen: { to: { one: { with: { type: t, data: '${ .n == 1 }' } } } } }\n");
    fixture_start(&f, "null");
    fixture_reload(&f);
    pw_event event = resume_of(&f, "hear-1", EVENT("u", "{\"n\":1}"));
    fixture_event(&f, &event);
    expect_refused(&f, PAWL_INVALID, PAWL_REASON_BAD_ANSWER,
                   "'hear-1' does not listen for such an event; `pawl show` says for what");
    event = resume_of(&f, "hear-1", EVENT("t", "{\"n\":2}"));
    fixture_event(&f, &event);
    EXPECT_INT(f.t.reason, PAWL_REASON_BAD_ANSWER);
    event = resume_of(&f, "hear-1", "{\"id\":\"1\",\"type\":\"t\"}");
    fixture_event(&f, &event);
    expect_refused(&f, PAWL_INVALID, PAWL_REASON_BAD_ANSWER,
                   "'hear-1' takes a CloudEvent; 'source' is missing");
    event = resume_of(&f, "hear-1", "null");
    fixture_event(&f, &event);
    EXPECT_INT(f.t.reason, PAWL_REASON_BAD_ANSWER);
    event = resume_of(&f, "hear-1", EVENT("t", "{\"n\":1}"));
    event.bookmark = PW_LIT("external-message");
    fixture_event(&f, &event);
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "[{\"n\":1}]");
    EXPECT_INT(f.t.taken_count, 0); /* it is no delivery */
    EXPECT_TEXT(entry_text(&f, 0),
                "{\"type\":\"message.consumed\",\"task\":\"/do/0/hear\",\"visit\":1,\"by\":\"ann\","
                "\"event\":" EVENT("t", "{\"n\":1}") "}");
    EXPECT_INT(f.t.bookmark_end_count, 1);
    EXPECT(f.t.bookmark_ends[0].consumed);
    EXPECT_INT(f.t.bookmark_ends[0].digest.len, 64);
    fixture_close(&f);
}

TEST(resume, an_event_by_hand_is_refused_while_the_task_is_at_work_or_suspended)
{
    fixture f;
    fixture_open(&f,
                 "  - hear:\n"
                 "      listen: { to: { any: [ { with: { type: t } } ], until: '${ false }' } }\n"
                 "      foreach: { do: [ { a: { call: work } } ] }\n");
    fixture_start(&f, "null");
    pw_event event = resume_of(&f, "hear-1", EVENT("t", "1"));
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    fixture_event(&f, &event);
    expect_refused(&f, PAWL_STATE, PAWL_REASON_NONE,
                   "the instance is suspended; continue it first");
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    fixture_event(&f, &event);
    EXPECT(f.t.changed);
    EXPECT_INT(f.t.work_count, 1);
    fixture_event(&f, &event);
    expect_refused(&f, PAWL_BUSY, PAWL_REASON_NONE,
                   "the task is at work on a message that came before");
    fixture_result(&f, 2, 1, "1");
    fixture_event(&f, &event);
    EXPECT(f.t.changed);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ done before */

TEST(resume, what_was_done_before_is_repeated)
{
    fixture f;
    fixture_open(&f, "  - nap: { wait: PT1H }\n");
    fixture_start(&f, "null");
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT(f.t.repeated && !f.t.changed);
    EXPECT_INT(f.t.code, PAWL_OK);
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    EXPECT(!f.t.repeated && f.t.changed);
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    EXPECT(f.t.repeated && !f.t.changed);
    fixture_command(&f, PW_EVENT_CANCEL, "ann", "");
    fixture_command(&f, PW_EVENT_CANCEL, "ann", "");
    EXPECT(f.t.repeated && !f.t.changed);
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    expect_refused(&f, PAWL_STATE, PAWL_REASON_ENDED, "the instance was cancelled");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ starts at a time */

static void start_at(fixture *f, const char *input, int64_t at)
{
    pw_event event = resume_of(f, "", input);
    event.kind = PW_EVENT_START;
    event.start_at_ms = at;
    fixture_event(f, &event);
}

#define LATER                                                                                      \
    "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\n"                  \
    "input: { from: '${ .k }' }\n"                                                                 \
    "timeout: { after: PT1M }\n"                                                                   \
    "do: [ { ask: { call: userTask, with: { key: '${ $workflow.startedAt.iso8601 }' } } } ]\n"

TEST(resume, a_start_at_a_time_is_pending_until_then)
{
    fixture f;
    fixture_open(&f, LATER);
    start_at(&f, "{\"k\":1}", T0 + 3600000);
    EXPECT_STATUS(f, "pending");
    EXPECT_INT(f.t.wake_at, T0 + 3600000);
    EXPECT_INT(f.t.timer_at, T0 + 3600000);
    EXPECT_INT(f.t.event_count, 0); /* it has not started */
    EXPECT_TEXT(entry_text(&f, 0), "{\"type\":\"instance.pending\",\"input\":{\"k\":1},"
                                   "\"startAt\":\"2026-09-21T15:13:20.000Z\"}");
    fixture_reload(&f);
    EXPECT_TEXT(waits_text(&f), "[{\"kind\":\"start\",\"startAt\":\"2026-09-21T15:13:20.000Z\"}]");
    fixture_timer(&f, T0 + 3600000 - 1);
    EXPECT(!f.t.changed);
    fixture_drive(&f);
    EXPECT(!f.t.changed);
    fixture_timer(&f, T0 + 3600000);
    EXPECT_STATUS(f, "waiting");
    EXPECT_TEXT(fixture_entries(&f), "instance.started; task.started /do/0/ask");
    EXPECT_TEXT(fixture_events(&f), "workflow.started");
    EXPECT_STR(f.t.bookmarks[0].key, "2026-09-21T15:13:20.000Z");
    EXPECT_INT(f.t.wake_at, T0 + 3660000); /* its timeout is from then on */
    fixture_reload(&f);
    fixture_timer(&f, T0 + 3600000);
    EXPECT(!f.t.changed);
    fixture_close(&f);
}

TEST(resume, a_start_at_a_time_that_has_passed_begins_at_once)
{
    for (int i = 0; i < 2; i++) {
        fixture f;
        fixture_open(&f, LATER);
        start_at(&f, "{\"k\":1}", T0 - i);
        EXPECT_STATUS(f, "waiting");
        EXPECT_TEXT(fixture_entries(&f), "instance.started; task.started /do/0/ask");
        fixture_close(&f);
    }
}

TEST(resume, a_pending_start_is_suspended_continued_and_cancelled)
{
    fixture f;
    fixture_open(&f, LATER);
    start_at(&f, "{\"k\":1}", T0 + 1000);
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "wait");
    EXPECT_STATUS(f, "suspended");
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_STATUS(f, "pending"); /* its time is still to come */
    EXPECT_INT(f.t.wake_at, T0 + 1000);
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    fixture_reload(&f);
    fixture_timer(&f, T0 + 2000);
    EXPECT(!f.t.changed);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_STATUS(f, "waiting");
    EXPECT_TEXT(fixture_entries(&f), "instance.resumed; instance.started; task.started /do/0/ask");
    fixture_close(&f);

    fixture_open(&f, LATER);
    start_at(&f, "{\"k\":1}", T0 + 1000);
    fixture_command(&f, PW_EVENT_CANCEL, "ann", "");
    EXPECT_STATUS(f, "cancelled");
    EXPECT_TEXT(fixture_entries(&f), "instance.cancelled");
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    fixture_reload(&f);
    fixture_timer(&f, T0 + 2000);
    EXPECT(!f.t.changed);
    fixture_close(&f);
}

TEST(resume, what_fails_at_the_beginning_of_a_later_start_faults_then)
{
    fixture f;
    fixture_open(&f, "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\n"
                     "input: { from: '${ error(\"no\") }' }\n"
                     "do: [ { a: { set: { n: 1 } } } ]\n");
    start_at(&f, "null", T0 + 1000);
    EXPECT_STATUS(f, "pending");
    fixture_timer(&f, T0 + 1000);
    EXPECT_STATUS(f, "faulted");
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    fixture_reload(&f);
    fixture_close(&f);
}

TEST(resume, a_pending_state_that_is_none_is_refused)
{
    static const char *const bad[] = {
        "{\"f\":3,\"s\":\"pending\",\"v\":0,\"t\":1,\"i\":1,\"x\":null,\"r\":{\"=\":1}}",
        "{\"f\":3,\"s\":\"waiting\",\"v\":0,\"t\":1,\"i\":1,\"x\":null,\"r\":{\"d\":5,\"=\":1}}",
        "{\"f\":3,\"s\":\"pending\",\"v\":0,\"t\":1,\"i\":1,\"x\":null,\"r\":{\"d\":5,\"to\":6,\"="
        "\":1}}",
        "{\"f\":3,\"s\":\"pending\",\"v\":1,\"t\":1,\"i\":1,\"x\":null,\"r\":{\"d\":5,\"=\":1,"
        "\"c\":"
        "[{\"t\":0,\"p\":0,\"v\":1,\"in\":1}]}}",
    };
    static const char good[] =
        "{\"f\":3,\"s\":\"pending\",\"v\":0,\"t\":1,\"i\":1,\"x\":null,\"r\":{\"d\":5,\"=\":1}}";
    fixture f;
    fixture_open(&f, "  - a: { set: { n: 1 } }\n");
    pw_state *state;
    pawl_error err;
    for (size_t i = 0; i < PW_LENGTH(bad); i++)
        EXPECT_INT(pw_state_parse(&state, pw_str_of(bad[i]), f.program, NULL, &f.arena, &err),
                   PAWL_CORRUPT);
    EXPECT_OK(pw_state_parse(&state, pw_str_of(good), f.program, NULL, &f.arena, &err), err);
    EXPECT_INT(pw_state_timer(state, &f.settings), 5);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ attempts */

static void fail_retryably(fixture *f, uint64_t visit, uint32_t attempt, const char *error)
{
    pw_event event = resume_of(f, "", "null");
    event.kind = PW_EVENT_ACTIVITY_RESULT;
    event.visit = visit;
    event.attempt = attempt;
    event.retry = PW_RETRY_YES;
    pawl_error err;
    EXPECT_OK(pw_json_parse(&event.error, pw_str_of(error), NULL, &f->arena, &err), err);
    fixture_event(f, &event);
}

TEST(resume, an_attempt_that_may_be_repeated_is_until_none_is_left)
{
    fixture f;
    fixture_open(
        &f,
        "  - a: { call: work, timeout: { after: PT1H }, metadata: { pawl: { priority: 5 } } }\n");
    fixture_retries(&f, 2);
    fixture_start(&f, "null");
    EXPECT_INT(f.t.work[0].priority, 5);
    EXPECT_INT(f.t.work[0].timeout_ms, 3600000);
    EXPECT_STR(f.t.work[0].last_error, "");
    const char *key = fixture_text(&f, f.t.work[0].key);
    fail_retryably(&f, 1, 1, "{\"status\":503,\"title\":\"busy\"}");
    EXPECT_STATUS(f, "waiting");
    static const char error[] =
        "{\"type\":\"https://open-workflow-specification.org/spec/1.0.0/errors/runtime\","
        "\"status\":503,\"title\":\"busy\",\"instance\":\"/do/0/a\"}";
    char entry[512];
    (void)snprintf(entry, sizeof entry,
                   "{\"type\":\"attempt.failed\",\"task\":\"/do/0/a\",\"visit\":1,\"attempt\":1,"
                   "\"class\":\"other\",\"error\":%s,\"shouldRetry\":true,\"retryDelayMs\":1000,"
                   "\"dueAt\":\"2026-09-21T14:13:21.000Z\"}",
                   error);
    EXPECT_TEXT(entry_text(&f, 0), entry);
    EXPECT_INT(f.t.work_count, 0);
    EXPECT_INT(f.t.wake_at, T0 + 1000);
    fixture_reload(&f);
    fixture_timer(&f, T0 + 1000);
    EXPECT_TEXT(fixture_entries(&f), "attempt.started /do/0/a");
    EXPECT_INT(f.t.work_count, 1);
    EXPECT(!f.t.work[0].cancel);
    EXPECT_INT(f.t.work[0].attempt, 2);
    EXPECT_STR(f.t.work[0].key, key);
    EXPECT_STR(f.t.work[0].last_error, error);
    fixture_reload(&f);
    pw_work work;
    EXPECT(pw_state_work_of(&work, f.state, f.program, 1, &f.arena));
    EXPECT_INT(work.attempt, 2);
    EXPECT_INT(work.priority, 5);
    EXPECT_INT(work.timeout_ms, 3600000);
    EXPECT_STR(work.last_error, error);
    EXPECT_STR(work.input, "{}");
    EXPECT(!pw_state_work_of(&work, f.state, f.program, 2, &f.arena));
    fail_retryably(&f, 1, 1, "{\"status\":503}"); /* of an attempt that is over */
    EXPECT_TEXT(fixture_entries(&f), "activity.late");
    fixture_lost(&f, 1, 2);
    EXPECT_INT(f.t.work[0].attempt, 3);
    EXPECT_STR(f.t.work[0].last_error, "");
    fail_retryably(&f, 1, 3, "{\"status\":503,\"title\":\"busy\"}"); /* the last one */
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_entries(&f),
                "task.faulted /do/0/a; instance.faulted");
    EXPECT_STR(f.t.error, error);
    EXPECT(!pw_state_work_of(&work, f.state, f.program, 1, &f.arena));
    fixture_close(&f);
}

TEST(resume, an_attempt_that_fails_while_suspended_is_handed_out_later)
{
    fixture f;
    fixture_open(&f, "  - a: { call: work }\n");
    fixture_retries(&f, 1);
    fixture_start(&f, "null");
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    fail_retryably(&f, 1, 1, "{\"status\":503}");
    EXPECT_STATUS(f, "suspended");
    EXPECT_INT(f.t.work_count, 0);
    EXPECT(f.t.timer_at == PW_WAKE_NEVER);
    f.now_ms = T0 + 2000;
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_INT(f.t.work_count, 1);
    EXPECT_INT(f.t.work[0].attempt, 2);
    EXPECT(pw_state_wants(f.state, 1, 2));
    fixture_close(&f);
}

TEST(resume, an_error_that_may_not_be_repeated_is_raised)
{
    fixture f;
    fixture_open(&f, "  - a: { call: work }\n");
    fixture_start(&f, "null");
    fixture_failed(&f, 1, 1, "{\"status\":503}");
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_entries(&f), "task.faulted /do/0/a; instance.faulted");
    fixture_close(&f);
}

TEST(resume, work_is_found_in_a_wide_fork)
{
    fixture f;
    fixture_open(&f, "  - all:\n"
                     "      fork:\n"
                     "        branches:\n"
                     "          - a: { call: work, with: { n: 1 } }\n"
                     "          - b: { call: work, with: { n: 2 } }\n"
                     "          - c: { wait: PT1H }\n"
                     "          - d: { call: userTask }\n"
                     "          - e: { call: work, with: { n: 5 } }\n"
                     "          - f: { do: [ { g: { call: work, with: { n: 6 } } } ] }\n"
                     "          - h: { wait: PT1H }\n"
                     "          - i: { call: work, with: { n: 8 } }\n");
    fixture_start(&f, "null");
    fixture_reload(&f);
    static const char *const inputs[] = { "", "{\"n\":1}", "{\"n\":2}", "",         "", "{\"n\":5}",
                                          "", "",          "{\"n\":8}", "{\"n\":6}" };
    for (uint64_t visit = 1; visit <= 11; visit++) {
        pw_work work;
        const char *input =
            visit >= 2 ? visit - 1 < PW_LENGTH(inputs) ? inputs[visit - 1] : "" : "";
        bool found = pw_state_work_of(&work, f.state, f.program, visit, &f.arena);
        EXPECT_INT(found, *input != '\0');
        if (found)
            EXPECT_STR(work.input, input);
        EXPECT_INT(pw_state_wants(f.state, visit, 1), *input != '\0');
    }
    fixture_close(&f);
}

TEST_MAIN()
