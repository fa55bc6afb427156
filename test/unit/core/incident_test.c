/* incident_test.c - what nothing catches: the incident, what goes on beside it, and what people do about
 * it. */
#include <stdlib.h>
#include "fixture.h"
#include "core/step.h"

#define HEAD "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\n"
#define GET "{ call: http, with: { method: get, endpoint: 'http://X.test/y/{k}?q=1' } }"

static void start(fixture *f, const char *tasks)
{
    fixture_open(f, tasks);
    fixture_start(f, "{\"k\":1}");
    fixture_reload(f);
}

static void command(fixture *f, pw_event_kind kind)
{
    fixture_command(f, kind, "ann", "because");
}

static const char *waits(fixture *f)
{
    pw_value all = pw_state_waits(f->state, f->program, &f->arena);
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (uint32_t i = 0; i < all.count; i++) {
        pw_str kind = pw_get_text(pw_item(all, i), "kind"), name = pw_get_text(pw_item(all, i), "name");
        pw_buf_printf(&buf, "%s" PW_FMT "%s" PW_FMT, i ? "; " : "", PW_ARG(kind), name.len ? " " : "", PW_ARG(name));
    }
    const char *text = pw_arena_str(&f->arena, pw_buf_view(&buf)).ptr;
    pw_buf_done(&buf);
    return text ? text : "";
}

static void expect_refused(fixture *f, pawl_code code, pawl_reason reason)
{
    EXPECT(!f->t.changed);
    EXPECT(!f->t.repeated);
    EXPECT_INT(f->t.code, code);
    EXPECT_INT(f->t.reason, reason);
}

/* ------------------------------------------------------------------ what is told */

TEST(incident, row_and_log_have_the_five_answers_of_the_handler)
{
    fixture f;
    start(&f, "  - get: " GET "\n");
    fixture_called(&f, 1, 1, (pw_call_result){ .answered = true, .status = 503 });
    EXPECT_STATUS(f, "faulted");
    EXPECT(pw_state_has_incident(f.state));
    const pw_fault *row = f.t.fault;
    EXPECT_STR(row->task, "/do/0/get");
    EXPECT_INT(row->visit, 1);
    EXPECT_STR(row->kind, "external-call-fault");
    EXPECT_STR(row->class_, "server-error");
    EXPECT_INT(row->attempt, 1);
    EXPECT_STR(row->decision, "incident");
    EXPECT_STR(f.t.resolution, "");
    const char *action = fixture_text(&f, row->action);
    EXPECT_CONTAINS(action, "http://X.test/y/1");
    EXPECT_CONTAINS(action, "pawl retry i1");
    EXPECT_CONTAINS(action, "pawl fail i1");
    const char *entry = fixture_entry_text(&f, 1);
    static const char *const members[][2] = {
        { "type", "instance.faulted" }, { "fault", "external-call-fault" },
        { "class", "server-error" },    { "attempts", "1" },
        { "shouldRetry", "false" },     { "retryDelayMs", "(absent)" },
        { "suspendWorkflow", "false" }, { "requiresManualIntervention", "true" },
    };
    for (size_t i = 0; i < PW_LENGTH(members); i++)
        EXPECT_TEXT(fixture_member(&f, entry, members[i][0]), members[i][1]);
    EXPECT_TEXT(fixture_member(&f, entry, "recommendedAction"), action);
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    EXPECT_INT(f.t.timer_at, PW_WAKE_NEVER);
    EXPECT_TEXT(waits(&f), "incident get");
    fixture_close(&f);
}

TEST(incident, an_error_that_is_no_attempt_is_of_an_activity_by_its_type)
{
    static const struct {
        const char *tasks, *class_;
    } rows[] = {
        { "  - a: { set: '${ .x.y.z | error }' }\n", "argument" },
        { "  - a: { call: http, with: { method: get, endpoint: '${ \"ftp://x/\" }' } }\n", "argument" },
        { "  - a: { raise: { error: { type: 'https://example.com/e', status: 503 } } }\n", "business" },
        { "  - a: { raise: { error: { type: '" PW_ERROR_HOST "communication', status: 503 } } }\n", "business" },
        { "  - a: { raise: { error: { type: '" PW_ERROR_HOST "validation', status: 400 } } }\n", "business" },
        { "  - a: { set: { n: 1 }, output: { schema: { document: { type: array } } } }\n", "argument" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        fixture_open(&f, rows[i].tasks);
        fixture_retries(&f, 5);
        fixture_start(&f, "{\"k\":1}");
        EXPECT_STATUS(f, "faulted");
        EXPECT_STR(f.t.fault->kind, "activity-fault");
        EXPECT_STR(f.t.fault->class_, rows[i].class_);
        EXPECT_INT(f.t.fault->attempt, 0);
        fixture_close(&f);
    }
}

TEST(incident, an_output_that_does_not_fit_is_no_fault_of_the_service)
{
    fixture f;
    start(&f, "  - get: { call: http, with: { method: get, endpoint: 'http://x/' }, output: { as: '${ .a.b }' } }\n");
    fixture_retries(&f, 5);
    fixture_answer(&f, 1, 200, "application/json", "3");
    EXPECT_STATUS(f, "faulted");
    EXPECT_STR(f.t.fault->kind, "activity-fault");
    EXPECT_STR(f.t.fault->class_, "argument");
    fixture_close(&f);
}

TEST(incident, names_the_service_by_scheme_host_and_port)
{
    static const struct {
        const char *endpoint, *service;
    } rows[] = {
        { "http://X.Test/y", "http://x.test:80" },
        { "HTTPS://x.test", "https://x.test:443" },
        { "http://x.test:8080/y:1", "http://x.test:8080" },
        { "http://me:secret@x.test/y@z", "http://x.test:80" },
        { "http://[::1]/y", "http://[::1]:80" },
        { "http://[::1]:81/y", "http://[::1]:81" },
        { "ftp://x.test/", "" },
        { "", "" },
    };
    fixture f;
    fixture_open(&f, "  - a: { set: { n: 1 } }\n");
    for (size_t i = 0; i < PW_LENGTH(rows); i++)
        EXPECT_STR(pw_http_service_of(&f.arena, pw_str_of(rows[i].endpoint)), rows[i].service);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ no memory */

/* Tries the event with ever more memory, until it is enough; then it has its effect. */
static void with_little_memory(fixture *f, const pw_event *event)
{
    pawl_code code = PAWL_NO_MEMORY;
    const char *before = fixture_text(f, f->t.state_text);
    for (uint64_t n = 1; code != PAWL_OK; n++) {
        pw_arena arena;
        pw_arena_init(&arena, 0);
        pw_transition t;
        pawl_error err;
        EXPECT(n < 10000);
        pw_alloc_fail_after(n);
        code = pw_core_step(&t, f->program, f->state, &f->identity, event, &f->settings, f->machine, &arena, &err);
        pw_alloc_fail_after(0);
        EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY);
        pw_arena_done(&arena);
    }
    fixture_reload(f);
    EXPECT_TEXT(fixture_text(f, f->t.state_text), before);
    fixture_event(f, event);
    EXPECT(f->t.changed);
}

TEST(incident, running_out_of_memory_at_any_allocation_leaves_the_old_state)
{
    fixture f;
    start(&f, HEAD "use: { functions: { f: { call: http, with: { method: get, endpoint: 'http://X.test/y/{k}' }, metadata: { pawl: "
                   "{ resilience: { onUnknownOutcome: ask, circuitBreaker: { name: it } } } } } } }\n"
                   "do:\n"
                   "  - all:\n"
                   "      fork:\n"
                   "        branches:\n"
                   "          - get: { call: f, with: { k: 1 }, metadata: { pawl: { resilience: { timeout: PT9S, retry: { "
                   "delay: PT1S, limit: { attempt: { count: 1 } } } } } } }\n"
                   "          - ask: { call: userTask, with: { key: k } }\n");
    f.faults.suspend_after = 1;
    pw_event event = { .kind = PW_EVENT_CALL_RESULT, .now_ms = T0, .visit = f.t.calls[0].visit, .attempt = 1 };
    event.call = (pw_call_result){ .answered = true, .status = 503 };
    with_little_memory(&f, &event);
    EXPECT_STATUS(f, "waiting");
    event = (pw_event){ .kind = PW_EVENT_TIMER, .now_ms = T0 + 1000 };
    with_little_memory(&f, &event);
    EXPECT_INT(f.t.calls[0].resilience->on_unknown, PW_ON_UNKNOWN_ASK);
    EXPECT_INT(f.t.calls[0].timeout_ms, 9000);
    event = (pw_event){ .kind = PW_EVENT_CALL_LOST, .now_ms = T0 + 1000, .visit = f.t.calls[0].visit, .attempt = 2 };
    with_little_memory(&f, &event);
    EXPECT_STATUS(f, "suspended");
    event = (pw_event){ .kind = PW_EVENT_RESUME, .now_ms = T0 + 1000, .key = PW_LIT("k"), .payload = pw_null() };
    with_little_memory(&f, &event);
    event = (pw_event){ .kind = PW_EVENT_RETRY, .now_ms = T0 + 1000 };
    with_little_memory(&f, &event);
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.call_count, 1);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ retry */

TEST(retry, begins_anew_with_the_same_key_and_another_visit)
{
    fixture f;
    start(&f, "  - get: " GET "\n  - after: { set: { done: true } }\n");
    const char *key = fixture_text(&f, f.t.calls[0].key), *request = fixture_text(&f, f.t.calls[0].request);
    fixture_called(&f, 1, 1, (pw_call_result){ .answered = true, .status = 503 });
    fixture_reload(&f);
    EXPECT(pw_state_has_incident(f.state));
    f.now_ms = T0 + 3600000;
    command(&f, PW_EVENT_RETRY);
    EXPECT_STATUS(f, "waiting");
    EXPECT_STR(f.t.resolution, "retried");
    EXPECT(f.t.fault == NULL);
    EXPECT(!pw_state_has_incident(f.state));
    EXPECT_TEXT(fixture_entries(&f), "instance.retried /do/0/get; task.started /do/0/get");
    EXPECT_TEXT(fixture_entry_text(&f, 0), "{\"type\":\"instance.retried\",\"task\":\"/do/0/get\",\"visit\":1,"
                                           "\"by\":\"ann\",\"reason\":\"because\"}");
    EXPECT_STR(f.t.calls[0].key, key);
    EXPECT_STR(f.t.calls[0].request, request);
    EXPECT_INT(f.t.calls[0].visit, 2);
    EXPECT_INT(f.t.calls[0].attempt, 1);
    EXPECT_INT(f.t.wake_at, 0);
    fixture_reload(&f);
    fixture_answer(&f, 2, 200, "application/json", "1");
    EXPECT_OUTPUT(f, "{\"done\":true}");
    fixture_close(&f);
}

TEST(retry, a_task_with_a_bookmark_opens_another_one)
{
    fixture f;
    start(&f, "  - ask: { call: userTask, timeout: { after: PT1M } }\n");
    EXPECT_STR(f.t.bookmarks[0].key, "ask-1");
    fixture_timer(&f, T0 + 60000);
    EXPECT_STATUS(f, "faulted");
    EXPECT_INT(f.t.bookmark_end_count, 1);
    fixture_reload(&f);
    command(&f, PW_EVENT_RETRY);
    EXPECT_STR(f.t.bookmarks[0].key, "ask-2");
    EXPECT_INT(f.t.timer_at, T0 + 120000);
    fixture_close(&f);
}

TEST(retry, a_scope_begins_with_its_first_task_and_its_calls_have_their_keys)
{
    fixture f;
    start(&f, "  - all:\n"
              "      do: [ { one: { call: work } }, { two: { call: work } } ]\n"
              "      timeout: { after: PT1M }\n");
    const char *key = fixture_text(&f, f.t.work[0].key);
    fixture_result(&f, 2, 1, "{\"n\":1}");
    fixture_reload(&f);
    fixture_timer(&f, T0 + 60000);
    EXPECT_STATUS(f, "faulted");
    EXPECT_STR(f.t.fault->task, "/do/0/all");
    EXPECT_STR(f.t.fault->class_, "timeout");
    EXPECT_INT(f.t.work_count, 1);
    EXPECT(f.t.work[0].cancel);
    fixture_reload(&f);
    command(&f, PW_EVENT_RETRY);
    EXPECT_TEXT(fixture_entries(&f),
                "instance.retried /do/0/all; task.started /do/0/all; task.started /do/0/all/do/0/one");
    EXPECT_STR(f.t.work[0].key, key);
    EXPECT_INT(f.t.timer_at, T0 + 120000);
    fixture_close(&f);
}

TEST(retry, a_fork_begins_with_all_its_branches_and_their_keys)
{
    fixture f;
    start(&f, "  - all:\n"
              "      fork: { branches: [ { one: { call: work } }, { two: { call: work } } ] }\n"
              "      timeout: { after: PT1M }\n");
    const char *keys[] = { fixture_text(&f, f.t.work[0].key), fixture_text(&f, f.t.work[1].key) };
    fixture_timer(&f, T0 + 60000);
    EXPECT_STATUS(f, "faulted");
    fixture_reload(&f);
    command(&f, PW_EVENT_RETRY);
    EXPECT_INT(f.t.work_count, 2);
    for (size_t i = 0; i < 2; i++)
        EXPECT_STR(f.t.work[i].key, keys[i]);
    fixture_close(&f);
}

TEST(retry, a_try_has_all_its_retries_again)
{
    fixture f;
    start(&f, "  - safe:\n"
              "      try: [ { a: { call: work } } ]\n"
              "      catch: { retry: { delay: PT1S, limit: { attempt: { count: 1 } } } }\n"
              "      timeout: { after: PT1M }\n");
    fixture_failed(&f, 2, 1, "{\"status\":418}");
    EXPECT_STATUS(f, "waiting");
    fixture_timer(&f, T0 + 1000);
    fixture_timer(&f, T0 + 60000);
    EXPECT_STATUS(f, "faulted");
    fixture_reload(&f);
    command(&f, PW_EVENT_RETRY);
    fixture_failed(&f, f.t.work[0].visit, 1, "{\"status\":418}");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.wake_at, T0 + 61000);
    fixture_close(&f);
}

TEST(retry, that_fails_again_is_another_incident)
{
    fixture f;
    start(&f, "  - bad: { set: '${ .k.x }' }\n");
    command(&f, PW_EVENT_RETRY);
    EXPECT_STATUS(f, "faulted");
    EXPECT_STR(f.t.resolution, "retried");
    EXPECT(f.t.fault != NULL);
    EXPECT_INT(f.t.fault->visit, 2);
    EXPECT(pw_state_has_incident(f.state));
    EXPECT(f.t.error.len > 0);
    fixture_close(&f);
}

TEST(retry, of_what_the_step_had_no_room_for)
{
    fixture f;
    fixture_open(&f, "  - both: { fork: { branches: [ { a: { set: '${ .k.x }' } }, { b: { set: { n: 2 } } } ] } }\n");
    f.settings.tasks_per_step = 2;
    fixture_start(&f, "{\"k\":1}");
    EXPECT_STATUS(f, "faulted");
    EXPECT(!pw_state_cut(f.state));
    fixture_reload(&f);
    f.settings.tasks_per_step = 0;
    command(&f, PW_EVENT_RETRY);
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_entries(&f),
                "instance.retried /do/0/both/fork/branches/0/a; task.faulted /do/0/both/fork/branches/0/a; "
                "instance.faulted");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ beside the fault */

#define BESIDE                                                                                     \
    "  - all:\n"                                                                                   \
    "      fork:\n"                                                                                \
    "        branches:\n"                                                                          \
    "          - bad: { call: work, with: { n: 0 } }\n"                                            \
    "          - call: " GET "\n"                                                                  \
    "          - job: { call: work, with: { n: 2 } }\n"                                            \
    "          - ask: { call: userTask, with: { key: k } }\n"                                      \
    "          - nap: { wait: PT1H }\n"                                                            \
    "          - hear: { listen: { to: { any: [] } } }\n"                                          \
    "          - child: { run: { workflow: { namespace: a, name: b, version: '1.0.0' } } }\n"

/* Six others wait when `bad` fails. */
static void stop_one_of_seven(fixture *f, const char *tasks)
{
    start(f, tasks);
    EXPECT_INT(f->t.work_count, 2);
    EXPECT_INT(f->t.bookmark_count, 4);
    EXPECT_INT(f->t.call_count, 1);
    fixture_failed(f, 2, 1, "{\"status\":418}");
    EXPECT_STATUS(*f, "faulted");
    EXPECT_INT(f->t.bookmark_end_count, 0);
    EXPECT_INT(f->t.outcome_count, 0);
    EXPECT_INT(f->t.work_count, 0);
    EXPECT_INT(f->t.message_count, 0);
    EXPECT_INT(f->t.subscription_end_count, 0);
    EXPECT_TEXT(waits(f), "incident bad; call call; activity job; user-action ask; timer nap; "
                          "external-message hear; child child");
    fixture_reload(f);
    EXPECT(pw_state_wants(f->state, 3, 1));
    EXPECT(pw_state_wants(f->state, 4, 1));
    EXPECT(!pw_state_hears(f->state));
    EXPECT(!pw_state_moves(f->state));
}

static void answer_all(fixture *f)
{
    fixture_answer(f, 3, 200, "application/json", "\"called\"");
    EXPECT_TEXT(fixture_entries(f), "result.kept /do/0/all/fork/branches/1/call");
    EXPECT_INT(f->t.outcomes[0].state, PW_CALL_COMPLETED);
    fixture_reload(f);
    fixture_result(f, 4, 1, "\"worked\"");
    fixture_reload(f);
    fixture_resume(f, "k", "{\"yes\":true}", "bob");
    EXPECT_INT(f->t.bookmark_end_count, 1);
    EXPECT(f->t.bookmark_ends[0].consumed);
    fixture_reload(f);
    fixture_resume(f, "nap-6", "null", "bob");
    EXPECT_TEXT(fixture_entries(f), "bookmark.consumed /do/0/all/fork/branches/4/nap; result.kept "
                                    "/do/0/all/fork/branches/4/nap");
    fixture_reload(f);
    fixture_message(f, 7, 1, "{\"id\":\"x\",\"source\":\"s\",\"type\":\"t\",\"data\":1}");
    expect_refused(f, PAWL_BUSY, PAWL_REASON_NONE);
    fixture_resume(f, "hear-7", "{\"id\":\"x\",\"source\":\"s\",\"type\":\"t\",\"data\":1}", "bob");
    expect_refused(f, PAWL_STATE, PAWL_REASON_OPEN_INCIDENT);
    pw_event ended = { .kind = PW_EVENT_CHILD_ENDED, .now_ms = f->now_ms, .visit = 8, .payload = pw_bool(true) };
    ended.key = f->state->root->child->last->key;
    fixture_event(f, &ended);
    EXPECT_TEXT(fixture_entries(f), "result.kept /do/0/all/fork/branches/6/child");
    EXPECT_INT(f->t.bookmark_end_count, 1);
    EXPECT_STATUS(*f, "faulted");
    EXPECT_INT(f->t.error.len, 0);
    EXPECT_TEXT(waits(f), "incident bad; continue call; continue job; continue ask; continue nap; "
                          "external-message hear; continue child");
    fixture_reload(f);
}

TEST(beside, results_are_kept_and_go_on_with_the_retry)
{
    fixture f;
    stop_one_of_seven(&f, BESIDE);
    answer_all(&f);
    command(&f, PW_EVENT_RETRY);
    EXPECT_STATUS(f, "waiting");
    EXPECT_TEXT(fixture_entries(&f),
                "instance.retried /do/0/all/fork/branches/0/bad; "
                "task.completed /do/0/all/fork/branches/1/call; "
                "task.completed /do/0/all/fork/branches/2/job; "
                "task.completed /do/0/all/fork/branches/3/ask; "
                "task.completed /do/0/all/fork/branches/4/nap; "
                "task.completed /do/0/all/fork/branches/6/child; "
                "task.started /do/0/all/fork/branches/0/bad");
    EXPECT_TEXT(waits(&f), "activity bad; external-message hear");
    EXPECT_INT(f.t.work_count, 1);
    uint64_t visit = f.t.work[0].visit;
    fixture_reload(&f);
    fixture_message(&f, 7, 1, "{\"id\":\"x\",\"source\":\"s\",\"type\":\"t\",\"data\":1}");
    fixture_result(&f, visit, 1, "\"mended\"");
    EXPECT_STATUS(f, "completed");
    const char *output = fixture_text(&f, f.t.output);
    EXPECT_INT(strncmp(output, "[\"mended\",\"called\",\"worked\",{\"yes\":true,", 39), 0);
    EXPECT_CONTAINS(output, "{\"k\":1},[1],true]");
    fixture_close(&f);
}

TEST(beside, what_still_waits_goes_on_waiting_after_the_retry)
{
    fixture f;
    stop_one_of_seven(&f, BESIDE);
    command(&f, PW_EVENT_RETRY);
    EXPECT_INT(f.t.call_count, 0); /* they are in flight */
    EXPECT_INT(f.t.work_count, 1);
    EXPECT_INT(f.t.bookmark_count, 0);
    EXPECT_TEXT(waits(&f), "activity bad; call call; activity job; user-action ask; timer nap; "
                           "external-message hear; child child");
    EXPECT(pw_state_hears(f.state));
    EXPECT_INT(f.t.timer_at, T0 + 3600000);
    fixture_close(&f);
}

TEST(beside, a_time_that_came_meanwhile_has_come_with_the_retry)
{
    fixture f;
    stop_one_of_seven(&f, BESIDE);
    fixture_timer(&f, T0 + 3600000);
    EXPECT(!f.t.changed);
    command(&f, PW_EVENT_RETRY);
    EXPECT_INT(f.t.bookmark_end_count, 1);
    EXPECT_STR(f.t.bookmark_ends[0].key, "nap-6");
    fixture_close(&f);
}

static void expect_all_closed(fixture *f, const char *resolution, const char *status)
{
    EXPECT_STATUS(*f, status);
    EXPECT_STR(f->t.resolution, resolution);
    EXPECT_INT(f->t.outcome_count, 1);
    EXPECT_INT(f->t.outcomes[0].state, PW_CALL_ABANDONED);
    EXPECT_INT(f->t.work_count, 1);
    EXPECT(f->t.work[0].cancel);
    EXPECT_INT(f->t.work[0].visit, 4);
    EXPECT_INT(f->t.bookmark_end_count, 4);
    EXPECT_INT(f->t.message_count, 1);
    EXPECT_STR(f->t.messages[0].kind, "cancel");
    EXPECT(!pw_state_has_incident(f->state));
    EXPECT_TEXT(waits(f), "");
    fixture_reload(f);
    EXPECT(!pw_state_wants(f->state, 4, 1));
    fixture_result(f, 4, 1, "1");
    EXPECT_TEXT(fixture_entries(f), "activity.late");
    EXPECT_STR(f->t.resolution, "");
}

TEST(beside, all_is_let_go_when_it_is_given_up)
{
    fixture f;
    stop_one_of_seven(&f, BESIDE);
    command(&f, PW_EVENT_FAIL);
    EXPECT_TEXT(fixture_entry_text(&f, 0),
                "{\"type\":\"instance.failed\",\"task\":\"/do/0/all/fork/branches/0/bad\",\"visit\":2,"
                "\"by\":\"ann\",\"reason\":\"because\"}");
    EXPECT_INT(f.t.error.len, 0); /* the row has it */
    expect_all_closed(&f, "failed", "faulted");
    command(&f, PW_EVENT_FAIL);
    EXPECT(!f.t.changed);
    EXPECT(f.t.repeated);
    command(&f, PW_EVENT_RETRY);
    expect_refused(&f, PAWL_STATE, PAWL_REASON_ENDED);
    command(&f, PW_EVENT_CANCEL);
    expect_refused(&f, PAWL_STATE, PAWL_REASON_ENDED);
    fixture_close(&f);
}

TEST(beside, all_is_let_go_when_it_is_cancelled)
{
    fixture f;
    stop_one_of_seven(&f, BESIDE);
    command(&f, PW_EVENT_CANCEL);
    EXPECT(!strstr(fixture_entries(&f), "task.cancelled /do/0/all/fork/branches/0/bad"));
    expect_all_closed(&f, "cancelled", "cancelled");
    fixture_close(&f);
}

TEST(beside, the_same_in_a_wide_fork)
{
    fixture f;
    start(&f, BESIDE "          - more: { wait: PT2H }\n");
    fixture_failed(&f, 2, 1, "{\"status\":418}");
    EXPECT_INT(f.t.branch_count, 1);
    fixture_reload(&f);
    fixture_answer(&f, 3, 200, "application/json", "\"called\"");
    EXPECT_INT(f.t.branch_count, 1);
    fixture_result(&f, 4, 1, "\"worked\"");
    fixture_resume(&f, "k", "{\"yes\":true}", "bob");
    EXPECT_TEXT(waits(&f), "incident bad; continue call; continue job; continue ask; timer nap; "
                           "external-message hear; child child; timer more");
    EXPECT_INT(f.branches.count, 8);
    fixture_reload(&f);
    command(&f, PW_EVENT_RETRY);
    EXPECT_INT(f.t.branch_count, 4); /* bad, call, job, ask: the others rest */
    EXPECT_TEXT(waits(&f), "activity bad; timer nap; external-message hear; child child; timer more");
    fixture_reload(&f);
    fixture_failed(&f, f.t.work[0].visit, 1, "{\"status\":418}");
    fixture_reload(&f);
    command(&f, PW_EVENT_FAIL);
    EXPECT_INT(f.branches.count, 0);
    EXPECT_INT(f.t.bookmark_end_count, 4);
    EXPECT_STATUS(f, "faulted");
    fixture_close(&f);
}

TEST(beside, an_attempt_that_fails_waits_and_one_that_was_lost_begins_with_the_retry)
{
    fixture f;
    start(&f, "  - all:\n"
              "      fork:\n"
              "        branches: [ { bad: { call: work } }, { get: " GET " }, { job: { call: work } } ]\n");
    fixture_failed(&f, 2, 1, "{\"status\":418}");
    fixture_retries(&f, 1);
    fixture_called(&f, 3, 1, (pw_call_result){ .answered = true, .status = 503 });
    EXPECT_TEXT(fixture_entries(&f), "attempt.failed /do/0/all/fork/branches/1/get");
    fixture_reload(&f);
    fixture_lost(&f, 4, 1);
    EXPECT_TEXT(fixture_entries(&f), "attempt.lost /do/0/all/fork/branches/2/job");
    EXPECT_INT(f.t.work_count, 0);
    fixture_reload(&f);
    command(&f, PW_EVENT_RETRY);
    EXPECT_TEXT(fixture_entries(&f),
                "instance.retried /do/0/all/fork/branches/0/bad; attempt.started "
                "/do/0/all/fork/branches/2/job; task.started /do/0/all/fork/branches/0/bad");
    EXPECT_INT(f.t.timer_at, T0 + 5000);
    fixture_close(&f);
}

TEST(beside, another_error_is_kept_and_raised_with_the_retry)
{
    fixture f;
    start(&f, "  - all: { fork: { branches: [ { a: { call: work } }, { b: { call: work } }, { c: { call: work } } ] } }\n");
    fixture_failed(&f, 2, 1, "{\"status\":418}");
    fixture_failed(&f, 3, 1, "{\"status\":419}");
    EXPECT_TEXT(fixture_entries(&f), "result.kept /do/0/all/fork/branches/1/b");
    EXPECT(f.t.fault == NULL);
    fixture_result(&f, 4, 1, "1");
    fixture_reload(&f);
    command(&f, PW_EVENT_RETRY);
    EXPECT_STATUS(f, "faulted");
    EXPECT_STR(f.t.resolution, "retried");
    EXPECT_STR(f.t.fault->task, "/do/0/all/fork/branches/1/b");
    EXPECT_CONTAINS(fixture_text(&f, f.t.error), "419");
    EXPECT_INT(f.t.work_count, 0);
    EXPECT_TEXT(waits(&f), "ready a; incident b; continue c");
    fixture_reload(&f);
    command(&f, PW_EVENT_RETRY);
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.work_count, 2);
    EXPECT_TEXT(waits(&f), "activity a; activity b");
    fixture_close(&f);
}

TEST(beside, the_parent_is_told_once_at_the_fault)
{
    fixture f;
    fixture_open(&f, "  - a: { call: work }\n");
    pw_event event = { .kind = PW_EVENT_START, .now_ms = T0, .parent = PW_LIT("p1"), .parent_visit = 3, .depth = 1 };
    event.payload = pw_null();
    fixture_event(&f, &event);
    fixture_failed(&f, 1, 1, "{\"status\":418}");
    EXPECT_INT(f.t.message_count, 1);
    EXPECT_STR(f.t.messages[0].kind, "child-ended");
    EXPECT_STR(f.t.messages[0].target, "p1");
    fixture_reload(&f);
    command(&f, PW_EVENT_RETRY);
    EXPECT_INT(f.t.message_count, 0);
    fixture_result(&f, 2, 1, "1");
    EXPECT_STATUS(f, "completed");
    EXPECT_INT(f.t.message_count, 0);
    fixture_close(&f);
}

TEST(beside, an_instance_with_an_incident_is_not_suspended_or_continued)
{
    fixture f;
    start(&f, "  - bad: { set: '${ .k.x }' }\n");
    command(&f, PW_EVENT_SUSPEND);
    expect_refused(&f, PAWL_STATE, PAWL_REASON_ENDED);
    command(&f, PW_EVENT_CONTINUE);
    expect_refused(&f, PAWL_STATE, PAWL_REASON_ENDED);
    fixture_close(&f);

    start(&f, "  - ask: { call: userTask }\n");
    command(&f, PW_EVENT_FAIL);
    expect_refused(&f, PAWL_STATE, PAWL_REASON_NO_INCIDENT);
    fixture_resume(&f, "ask-1", "{}", "ann");
    command(&f, PW_EVENT_FAIL);
    expect_refused(&f, PAWL_STATE, PAWL_REASON_ENDED);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ the workflow itself */

TEST(root, an_input_that_cannot_be_made_is_tried_again)
{
    fixture f;
    fixture_open(&f, HEAD "input: { from: '${ if $workflow.startedAt.epoch.seconds then .k.x else . end }' }\n"
                          "do: [ { w: { call: work } } ]\n");
    fixture_start(&f, "{\"k\":1}");
    EXPECT_STATUS(f, "faulted");
    EXPECT_STR(f.t.fault->task, "/");
    EXPECT_TEXT(waits(&f), "incident");
    fixture_reload(&f);
    command(&f, PW_EVENT_RETRY);
    EXPECT_TEXT(fixture_entries(&f), "instance.retried; instance.faulted");
    EXPECT_STR(f.t.resolution, "retried");
    command(&f, PW_EVENT_FAIL);
    EXPECT_STATUS(f, "faulted");
    EXPECT(!pw_state_has_incident(f.state));
    EXPECT_TEXT(waits(&f), "");
    fixture_close(&f);
}

TEST(root, an_input_that_nobody_heard_refused_is_looked_at_again)
{
    fixture f;
    fixture_open(&f, HEAD "input: { schema: { document: { type: array } } }\ndo: [ { w: { call: work } } ]\n");
    pw_event event = { .kind = PW_EVENT_START, .now_ms = T0, .unheard = true };
    event.payload = pw_null();
    fixture_event(&f, &event);
    EXPECT_STATUS(f, "faulted");
    fixture_reload(&f);
    command(&f, PW_EVENT_RETRY);
    EXPECT_STATUS(f, "faulted");
    EXPECT_STR(f.t.fault->class_, "argument");
    EXPECT_INT(f.t.work_count, 0);
    fixture_close(&f);
}

TEST(root, an_output_that_cannot_be_made_is_made_again_from_what_the_tasks_gave)
{
    fixture f;
    start(&f, HEAD "output: { as: '${ .a.b }' }\ndo: [ { w: { call: work } } ]\n");
    fixture_result(&f, 1, 1, "{\"a\":1}");
    EXPECT_STATUS(f, "faulted");
    EXPECT_STR(f.t.fault->task, "/");
    fixture_reload(&f);
    command(&f, PW_EVENT_RETRY);
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_entries(&f), "instance.retried; instance.faulted"); /* no task ran again */
    EXPECT_CONTAINS(fixture_text(&f, f.t.state_text), "\"a\":{\"a\":1}");
    fixture_close(&f);
}

TEST(root, a_timeout_of_the_workflow_begins_anew)
{
    fixture f;
    start(&f, HEAD "timeout: { after: PT1M }\ndo: [ { w: { call: work } }, { x: { set: { n: 1 } } } ]\n");
    fixture_timer(&f, T0 + 60000);
    EXPECT_STATUS(f, "faulted");
    EXPECT_STR(f.t.fault->class_, "timeout");
    EXPECT_TEXT(waits(&f), "incident; activity w");
    fixture_reload(&f);
    fixture_result(&f, 1, 1, "{}");
    fixture_reload(&f);
    f.now_ms = T0 + 100000;
    command(&f, PW_EVENT_RETRY);
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"n\":1}");
    fixture_close(&f);

    start(&f, HEAD "timeout: { after: PT1M }\ndo: [ { w: { call: work } } ]\n");
    fixture_timer(&f, T0 + 60000);
    fixture_reload(&f);
    f.now_ms = T0 + 100000;
    command(&f, PW_EVENT_RETRY);
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.timer_at, T0 + 160000);
    EXPECT(pw_state_wants(f.state, 1, 1));
    fixture_close(&f);
}

/* ------------------------------------------------------------------ too many */

static void fail_again(fixture *f, int64_t at)
{
    f->now_ms = at;
    command(f, PW_EVENT_RETRY);
    EXPECT_INT(f->t.code, PAWL_OK);
    EXPECT_STR(f->t.resolution, "retried");
    fixture_reload(f);
}

TEST(often, the_fifth_incident_within_half_an_hour_leaves_it_suspended)
{
    fixture f;
    start(&f, "  - bad: { set: '${ .k.x }' }\n");
    for (int i = 1; i <= 3; i++) {
        fail_again(&f, T0 + i * 60000);
        EXPECT_STATUS(f, "faulted");
        EXPECT_STR(f.t.fault->decision, "incident");
    }
    fail_again(&f, T0 + 1799999);
    EXPECT_STATUS(f, "suspended");
    EXPECT_STR(f.t.fault->decision, "suspend");
    EXPECT(pw_state_has_incident(f.state));
    EXPECT_TEXT(fixture_entries(&f), "instance.retried /do/0/bad; task.faulted /do/0/bad; instance.faulted; "
                                     "instance.suspended");
    EXPECT_TEXT(fixture_member(&f, fixture_entry_text(&f, 2), "suspendWorkflow"), "true");
    EXPECT_TEXT(fixture_entry_text(&f, 3), "{\"type\":\"instance.suspended\",\"by\":\"system\",\"reason\":"
                                           "\"5 incidents within 1800 seconds\"}");
    EXPECT_INT(f.t.error.len, 0);
    EXPECT_TEXT(waits(&f), "continue; incident bad");
    command(&f, PW_EVENT_SUSPEND);
    EXPECT(f.t.repeated);
    fixture_close(&f);
}

TEST(often, incidents_that_are_further_apart_do_not_count)
{
    fixture f;
    start(&f, "  - bad: { set: '${ .k.x }' }\n");
    for (int i = 1; i <= 20; i++) {
        fail_again(&f, T0 + i * 450000); /* 4 within 1,800 s: the fifth is just over */
        EXPECT_STATUS(f, "faulted");
    }
    EXPECT_INT(f.state->incident_count, 21);
    for (int i = 1; i <= 200; i++)
        fail_again(&f, T0 + i * 100000000ll);
    EXPECT_INT(f.state->incident_count, PW_INCIDENTS_KEPT);
    EXPECT_INT(f.state->incidents[PW_INCIDENTS_KEPT - 1], T0 + 20000000000ll);
    fixture_close(&f);
}

static void suspend_at_once(fixture *f, const char *tasks)
{
    pawl_error err;
    fixture_open(f, tasks);
    EXPECT_OK(pw_fault_policy_set(&f->faults, PW_LIT("activity:argument"), PW_LIT("suspend"), &err), err);
    fixture_start(f, "{\"k\":1}");
    fixture_reload(f);
}

#define LOUD                                                                                       \
    "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0', metadata: { pawl: "  \
    "{ lifecycle: { workflow: all } } } }\n"

TEST(often, a_critical_one_suspends_at_once_and_both_are_told)
{
    fixture f;
    suspend_at_once(&f, LOUD "do: [ { bad: { set: '${ .k.x }' } } ]\n");
    EXPECT_STATUS(f, "suspended");
    EXPECT_TEXT(fixture_entries(&f), "instance.started; task.faulted /do/0/bad; instance.faulted; "
                                     "instance.suspended");
    EXPECT_TEXT(fixture_events(&f), "workflow.started; workflow.faulted; workflow.suspended");
    EXPECT_TEXT(fixture_member(&f, fixture_entry_text(&f, 3), "reason"),
                "an incident of the class argument is critical");
    fixture_close(&f);
}

TEST(often, it_is_tried_again_by_continue_or_by_retry_or_given_up)
{
    static const struct {
        pw_event_kind kind;
        const char *resolution, *status, *entries;
    } rows[] = {
        { PW_EVENT_CONTINUE, "continued", "suspended",
          "instance.resumed; task.faulted /do/0/bad; instance.faulted; instance.suspended" },
        { PW_EVENT_RETRY, "retried", "suspended",
          "instance.retried /do/0/bad; task.faulted /do/0/bad; instance.faulted; instance.suspended" },
        { PW_EVENT_FAIL, "failed", "faulted", "instance.failed /do/0/bad" },
        { PW_EVENT_CANCEL, "cancelled", "cancelled", "instance.cancelled" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        suspend_at_once(&f, "  - bad: { set: '${ .k.x }' }\n");
        command(&f, rows[i].kind);
        EXPECT_STATUS(f, rows[i].status);
        EXPECT_STR(f.t.resolution, rows[i].resolution);
        EXPECT_TEXT(fixture_entries(&f), rows[i].entries);
        if (rows[i].kind == PW_EVENT_FAIL)
            EXPECT_CONTAINS(fixture_text(&f, f.t.error), "errors/expression");
        fixture_reload(&f);
        fixture_close(&f);
    }
}

TEST(often, results_of_others_are_kept_while_it_is_suspended)
{
    fixture f;
    suspend_at_once(&f, "  - both: { fork: { branches: [ { b: { call: work } }, { a: { set: '${ .k.x }' } } ] } }\n");
    EXPECT_STATUS(f, "suspended");
    EXPECT_INT(f.t.work_count, 1);
    fixture_result(&f, f.t.work[0].visit, 1, "1");
    EXPECT_STATUS(f, "suspended");
    EXPECT_TEXT(waits(&f), "continue; continue b; incident a");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ it runs for long */

TEST(long_running, is_told_once_at_its_time_while_the_instance_lives)
{
    fixture f;
    fixture_open(&f, "  - ask: { call: userTask }\n");
    f.settings.long_running_ms = 60000;
    fixture_start(&f, "null");
    EXPECT_INT(f.t.wake_at, T0 + 60000);
    EXPECT_INT(f.t.timer_at, T0 + 60000);
    EXPECT(!pw_state_moves(f.state));
    fixture_reload(&f);
    EXPECT_INT(pw_state_timer(f.state, &f.settings), T0 + 60000);
    fixture_timer(&f, T0 + 60000);
    EXPECT_TEXT(fixture_entry_text(&f, 0), "{\"type\":\"instance.long-running\",\"startedAt\":\"2026-09-21T14:13:20.000Z\","
                                           "\"thresholdMs\":60000}");
    EXPECT_TEXT(fixture_events(&f), "io.pawl.instance.longrunning.v1");
    const char *data = fixture_member(&f, fixture_text(&f, f.t.events[0].payload), "data");
    EXPECT_TEXT(data, "{\"namespace\":\"test\",\"name\":\"flow\",\"version\":\"1.0.0\",\"instance\":\"i1\","
                      "\"startedAt\":\"2026-09-21T14:13:20.000Z\",\"thresholdMs\":60000}");
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    fixture_reload(&f);
    fixture_timer(&f, T0 + 120000);
    EXPECT(!f.t.changed);
    fixture_close(&f);
}

TEST(long_running, a_higher_threshold_is_crossed_once_more_and_a_lower_one_is_not)
{
    fixture f;
    fixture_open(&f, "  - ask: { call: userTask }\n");
    f.settings.long_running_ms = 60000;
    fixture_start(&f, "null");
    fixture_timer(&f, T0 + 60000);
    fixture_reload(&f);
    f.settings.long_running_ms = 50000;
    EXPECT_INT(pw_state_timer(f.state, &f.settings), PW_WAKE_NEVER);
    f.settings.long_running_ms = 90000;
    EXPECT_INT(pw_state_timer(f.state, &f.settings), T0 + 90000);
    fixture_timer(&f, T0 + 90000);
    EXPECT_INT(f.t.event_count, 1);
    fixture_timer(&f, T0 + 95000);
    EXPECT(!f.t.changed);
    fixture_close(&f);
}

TEST(long_running, an_instance_at_work_keeps_its_place_in_the_row)
{
    fixture f;
    fixture_open(&f, "  - w: { call: work }\n  - nap: { wait: PT5S }\n  - ask: { call: userTask }\n");
    f.settings.long_running_ms = 60000;
    fixture_start(&f, "null");
    EXPECT_INT(f.t.wake_at, 0);
    EXPECT_INT(f.t.timer_at, T0 + 60000);
    fixture_result(&f, 1, 1, "1");
    EXPECT_INT(f.t.wake_at, T0 + 5000);
    EXPECT_INT(f.t.timer_at, T0 + 5000);
    fixture_timer(&f, T0 + 70000); /* both at once */
    EXPECT_TEXT(fixture_entries(&f), "task.completed /do/1/nap; instance.long-running; task.started /do/2/ask");
    fixture_close(&f);
}

TEST(long_running, nothing_is_told_of_who_sleeps_has_ended_or_is_a_schedule)
{
    fixture f;
    fixture_open(&f, "  - ask: { call: userTask }\n");
    f.settings.long_running_ms = 60000;
    fixture_start(&f, "null");
    command(&f, PW_EVENT_SUSPEND);
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    fixture_timer(&f, T0 + 60000);
    EXPECT(!f.t.changed);
    command(&f, PW_EVENT_CONTINUE);
    EXPECT_TEXT(fixture_entries(&f), "instance.resumed; instance.long-running");
    fixture_close(&f);

    fixture_open(&f, "  - w: { call: work }\n");
    f.settings.long_running_ms = 60000;
    pw_event event = { .kind = PW_EVENT_START, .now_ms = T0, .start_at_ms = T0 + 100000 };
    event.payload = pw_null();
    fixture_event(&f, &event);
    EXPECT_STATUS(f, "pending");
    EXPECT_INT(f.t.wake_at, T0 + 100000);
    fixture_timer(&f, T0 + 100000); /* it begins now */
    EXPECT_INT(f.t.timer_at, T0 + 160000);
    fixture_timer(&f, T0 + 160000);
    EXPECT_TEXT(fixture_entries(&f), "instance.long-running");
    fixture_close(&f);

    fixture_open(&f, HEAD "schedule: { every: PT1H }\ndo: [ { w: { call: work } } ]\n");
    f.settings.long_running_ms = 60000;
    event = (pw_event){ .kind = PW_EVENT_START, .now_ms = T0, .schedule = true };
    event.payload = pw_object_of(&f.arena, NULL, 0);
    fixture_event(&f, &event);
    EXPECT(f.t.timer_at > T0 + 60000);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ of an earlier version */

static void load(fixture *f, const char *tasks, const char *state, const char *branches)
{
    pawl_error err;
    fixture_open(f, tasks);
    EXPECT_OK(pw_state_parse_branches(&f->state, pw_str_of(state), pw_str_of(branches), f->program, NULL, &f->arena,
                                      &err),
              err);
    EXPECT(pw_state_has_incident(f->state));
    f->steps = 10;
}

/* As the version before stored them: what ran beside the fault was let go, and would begin anew. */
TEST(earlier, a_fault_of_format_3_is_retried)
{
    fixture f;
    load(&f,
         "  - both:\n"
         "      fork:\n"
         "        branches:\n"
         "          - a: { call: work, with: { n: 1 } }\n"
         "          - b: { call: userTask, with: { key: ask } }\n"
         "          - c: { call: http, with: { method: get, endpoint: 'http://x/' } }\n"
         "          - d: { wait: PT1H }\n"
         "          - e: { listen: { to: { any: [], until: length == 2 } }, foreach: { do: [ { f: { call: work, with: "
         "{ n: 2 } } } ] } }\n"
         "  - after: { set: { done: true } }\n",
         "{\"f\":3,\"s\":\"faulted\",\"v\":7,\"t\":1790000000000,\"i\":{\"k\":1},\"x\":null,\"r\":{\"o\":1,"
         "\"s\":1790000000000,\"=\":1,\"c\":[{\"t\":0,\"p\":1,\"v\":1,\"x\":-7766955380024381937,\"o\":5,\"i\":5,"
         "\"s\":1790000000000,\"=\":1,\"it\":[null,null,null,null,null],\"c\":[{\"t\":1,\"p\":0,\"v\":2,"
         "\"x\":-2774701178396168223,\"s\":1790000000000,\"=\":1},{\"t\":2,\"p\":0,\"v\":3,"
         "\"x\":4857735270397603181,\"s\":1790000000000,\"=\":1},{\"t\":3,\"p\":0,\"v\":4,"
         "\"x\":1034218115588564829,\"s\":1790000000000,\"=\":1},{\"t\":4,\"p\":0,\"v\":5,"
         "\"x\":-7316367202798031154,\"s\":1790000000000,\"=\":1},{\"t\":5,\"p\":1,\"v\":6,"
         "\"x\":-9024799600430759985,\"o\":1,\"i\":1,\"s\":1790000000000,\"=\":1,\"it\":[[1]],"
         "\"a\":{\"o\":[[]],\"m\":[1]},\"c\":[{\"t\":6,\"p\":9,\"v\":7,\"x\":5517823868939364460,\"n\":1,"
         "\"s\":1790000000000,\"=\":1,\"e\":{\"type\":\"https://open-workflow-specification.org/spec/1.0.0/errors/"
         "runtime\",\"status\":418,\"title\":\"the activity failed\",\"instance\":\"/do/0/both/fork/branches/4/e/"
         "foreach/do/0/f\"},\"a\":{\"n\":2},\"k\":\"15cwxvdd8vwevbggbed05c7e0z\"}]}]}]}}",
         "");
    EXPECT_TEXT(waits(&f), "ready a; ready b; ready c; ready d; incident f");
    command(&f, PW_EVENT_RETRY);
    EXPECT_STATUS(f, "waiting");
    EXPECT_STR(f.t.resolution, "retried");
    EXPECT_TEXT(waits(&f), "activity a; user-action b; call c; timer d; activity f");
    EXPECT_INT(f.t.bookmark_count, 2);
    EXPECT_STR(f.t.bookmarks[1].key, "d-11"); /* d-5 is in the store, closed */
    EXPECT_STR(f.t.work[1].key, "15cwxvdd8vwevbggbed05c7e0z");
    fixture_reload(&f);
    fixture_result(&f, f.t.work[1].visit, 1, "\"one\"");
    EXPECT_INT(f.t.bookmark_count, 1); /* it hears again */
    EXPECT_STR(f.t.bookmarks[0].key, "e-6");
    fixture_close(&f);
}

TEST(earlier, a_fault_of_format_3_in_a_wide_fork_is_retried)
{
    fixture f;
    static const char rows[] =
        "[[1,0,{\"o\":{\"t\":1,\"p\":0,\"v\":2,\"x\":-2774701178396168223,\"s\":1790000000000,\"=\":1}}],[1,1,{\"d\":"
        "1}],[1,2,{\"o\":{\"t\":3,\"p\":9,\"v\":4,\"x\":1034218115588564829,\"n\":1,\"s\":1790000000000,\"=\":1,"
        "\"e\":{\"type\":\"https://open-workflow-specification.org/spec/1.0.0/errors/runtime\",\"status\":418,"
        "\"title\":\"the activity failed\",\"instance\":\"/do/0/all/fork/branches/2/b2\"},\"a\":{},"
        "\"k\":\"1j1m68832zdvd4h6mwwnm25tdq\"}}],[1,3,{\"o\":{\"t\":4,\"p\":0,\"v\":5,\"x\":-7316367202798031154,"
        "\"s\":1790000000000,\"=\":1}}],[1,4,{\"o\":{\"t\":5,\"p\":0,\"v\":6,\"x\":-9024799600430759985,"
        "\"s\":1790000000000,\"=\":1}}],[1,5,{\"o\":{\"t\":6,\"p\":0,\"v\":7,\"x\":314463375123943765,"
        "\"s\":1790000000000,\"=\":1}}],[1,6,{\"o\":{\"t\":7,\"p\":0,\"v\":8,\"x\":4645484989342084152,"
        "\"s\":1790000000000,\"=\":1}}],[1,7,{\"o\":{\"t\":8,\"p\":0,\"v\":9,\"x\":-6888704231281896605,"
        "\"s\":1790000000000,\"=\":1}}]]";
    load(&f,
         "  - all:\n"
         "      fork:\n"
         "        branches: [ { b0: { call: work } }, { b1: { call: work } }, { b2: { call: work } }, { b3: { call: "
         "work } }, { b4: { call: work } }, { b5: { call: work } }, { b6: { call: work } }, { b7: { call: work } } ]\n",
         "{\"f\":3,\"s\":\"faulted\",\"v\":9,\"t\":1790000000000,\"i\":{\"k\":1},\"x\":null,\"r\":{\"o\":1,"
         "\"s\":1790000000000,\"=\":1,\"c\":[{\"t\":0,\"p\":1,\"v\":1,\"x\":-7766955380024381937,\"o\":8,\"i\":7,"
         "\"s\":1790000000000,\"=\":1,\"b\":1}]}}",
         rows);
    command(&f, PW_EVENT_RETRY);
    EXPECT_INT(f.t.work_count, 7);
    EXPECT_STR(f.t.work[1].key, "1j1m68832zdvd4h6mwwnm25tdq");
    EXPECT_STATUS(f, "waiting");
    for (uint64_t i = 0; i < 7; i++)
        fixture_result(&f, 10 + i, 1, "2");
    EXPECT_OUTPUT(f, "[2,1,2,2,2,2,2,2]");
    fixture_close(&f);
}

TEST(earlier, faults_of_format_3_of_the_workflow_itself)
{
    static const char problem[] = "\"e\":{\"type\":\"https://open-workflow-specification.org/spec/1.0.0/errors/timeout\","
                                  "\"status\":408,\"title\":\"no\",\"instance\":\"/\"}";
    fixture f;
    char state[600];
    (void)snprintf(state, sizeof state,
                   "{\"f\":3,\"s\":\"faulted\",\"v\":1,\"t\":1790000000000,\"i\":{\"k\":1},\"x\":null,\"r\":{\"o\":1,"
                   "\"s\":1790000000000,\"=\":1,%s,\"c\":[{\"t\":0,\"p\":0,\"v\":1,\"x\":-7766955380024381937,"
                   "\"s\":1790000000000,\"=\":1}]}}",
                   problem);
    load(&f, HEAD "timeout: { after: PT1M }\ndo: [ { w: { call: work } } ]\n", state, "");
    command(&f, PW_EVENT_RETRY);
    EXPECT_INT(f.t.work_count, 1);
    EXPECT_INT(f.t.timer_at, T0 + 60000);
    fixture_close(&f);

    (void)snprintf(state, sizeof state,
                   "{\"f\":3,\"s\":\"faulted\",\"v\":0,\"t\":1790000000000,\"i\":{\"a\":1},\"x\":null,\"r\":{"
                   "\"s\":1790000000000,\"=\":1,%s}}",
                   problem);
    load(&f, HEAD "input: { from: '${ { n: .a } }' }\ndo: [ { w: { call: work, with: { n: '${ .n }' } } } ]\n", state, "");
    command(&f, PW_EVENT_RETRY);
    EXPECT_STR(f.t.work[0].input, "{\"n\":1}");
    fixture_close(&f);

    /* the output that the workflow's own `output` failed on was not kept */
    (void)snprintf(state, sizeof state,
                   "{\"f\":3,\"s\":\"faulted\",\"v\":1,\"t\":1790000000000,\"i\":{\"k\":1},\"x\":null,\"r\":{\"o\":1,"
                   "\"s\":1790000000000,\"=\":1,%s}}",
                   problem);
    load(&f, HEAD "output: { as: '${ .a.b }' }\ndo: [ { w: { call: work } } ]\n", state, "");
    command(&f, PW_EVENT_RETRY);
    expect_refused(&f, PAWL_STATE, PAWL_REASON_NONE);
    EXPECT(strstr(fixture_text(&f, f.t.message), "earlier version") != NULL);
    command(&f, PW_EVENT_FAIL);
    EXPECT_STR(f.t.resolution, "failed");
    fixture_close(&f);
}

TEST(stored, incidents_that_break_a_promise_are_corrupt)
{
    fixture f;
    fixture_open(&f, "  - a: { call: work }\n");
    static const struct {
        const char *status, *more;
        pawl_code code;
    } rows[] = {
        { "faulted", "", PAWL_OK },
        { "faulted", "\"fi\":1,\"is\":[1,2],\"lr\":5,", PAWL_OK },
        { "suspended", "\"fi\":1,", PAWL_OK },
        { "waiting", "\"fi\":1,", PAWL_CORRUPT },
        { "completed", "\"fi\":1,", PAWL_CORRUPT },
        { "faulted", "\"fi\":2,", PAWL_CORRUPT },
        { "faulted", "\"is\":1,", PAWL_CORRUPT },
        { "faulted", "\"is\":[-1],", PAWL_CORRUPT },
        { "faulted", "\"is\":[\"x\"],", PAWL_CORRUPT },
        { "faulted", "\"lr\":-5,", PAWL_CORRUPT },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        char text[300];
        (void)snprintf(text, sizeof text,
                       "{\"f\":4,\"s\":\"%s\",\"v\":1,\"t\":1,\"i\":null,\"x\":null,%s\"r\":{\"=\":1}}", rows[i].status,
                       rows[i].more);
        pw_state *state;
        pawl_error err;
        pawl_code code = pw_state_parse(&state, pw_str_of(text), f.program, NULL, &f.arena, &err);
        if (code != rows[i].code)
            fail_msg("%s: %s", text, pawl_code_name(code));
        if (code == PAWL_OK) /* of this format, what says nothing was given up */
            EXPECT_INT(pw_state_has_incident(state), rows[i].more[0] != '\0');
    }
    fixture_close(&f);
}

TEST_MAIN()
