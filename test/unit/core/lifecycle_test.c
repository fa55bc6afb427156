/* lifecycle_test.c - which lifecycle events a step puts into the outbox, in which order, with what.
 */
#include "fixture.h"

#define HEAD(lifecycle_)                                                                           \
    "document:\n"                                                                                  \
    "  dsl: '1.0.3'\n"                                                                             \
    "  namespace: test\n"                                                                          \
    "  name: flow\n"                                                                               \
    "  version: '1.0.0'\n"                                                                         \
    "  metadata: { pawl: { lifecycle: " lifecycle_ " } }\n"                                        \
    "do:\n"
#define ALL HEAD("{ tasks: all }")
#define TASKS HEAD("{ workflow: none, tasks: all }")

static const char *payload(fixture *f, size_t at)
{
    EXPECT(at < f->t.event_count);
    return fixture_text(f, f->t.events[at].payload);
}

/* ---- the default */

TEST(lifecycle, without_a_word_about_it_only_the_instance_tells)
{
    fixture f;
    fixture_open(&f, "  - a: { set: { x: 1 } }\n  - b: { call: work }\n");
    fixture_start(&f, "null");
    EXPECT_TEXT(fixture_events(&f), "workflow.started");
    EXPECT_TEXT(
        payload(&f, 0),
        "{\"specversion\":\"1.0\",\"id\":\"i1-1-1\",\"source\":\"/test/flow/1.0.0\","
        "\"type\":\"io.serverlessworkflow.workflow.started.v1\",\"subject\":\"i1\","
        "\"time\":\"2026-09-21T14:13:20.000Z\",\"datacontenttype\":\"application/json\","
        "\"data\":{\"name\":\"flow-i1.test\",\"startedAt\":\"2026-09-21T14:13:20.000Z\","
        "\"definition\":{\"name\":\"flow\",\"namespace\":\"test\",\"version\":\"1.0.0\"}}}");
    fixture_command(&f, PW_EVENT_SUSPEND, "ada", "");
    EXPECT_TEXT(fixture_events(&f), "workflow.suspended");
    EXPECT_TEXT(fixture_member(&f, payload(&f, 0), "data"),
                "{\"name\":\"flow-i1.test\",\"suspendedAt\":\"2026-09-21T14:13:20.000Z\"}");
    fixture_command(&f, PW_EVENT_CONTINUE, "ada", "");
    EXPECT_TEXT(fixture_events(&f), "workflow.resumed");
    EXPECT_TEXT(fixture_member(&f, payload(&f, 0), "data"),
                "{\"name\":\"flow-i1.test\",\"resumedAt\":\"2026-09-21T14:13:20.000Z\"}");
    f.now_ms += 5;
    fixture_result(&f, 2, 1, "{\"y\":2}");
    EXPECT_TEXT(fixture_events(&f), "workflow.completed");
    EXPECT_TEXT(fixture_member(&f, payload(&f, 0), "data"),
                "{\"name\":\"flow-i1.test\",\"completedAt\":\"2026-09-21T14:13:20.005Z\","
                "\"output\":{\"y\":2}}");
    fixture_close(&f);
}

TEST(lifecycle, an_instance_that_is_cancelled_or_faults_tells_so)
{
    fixture f;
    fixture_open(&f, "  - a: { call: work }\n");
    fixture_start(&f, "null");
    fixture_command(&f, PW_EVENT_CANCEL, "ada", "");
    EXPECT_TEXT(fixture_events(&f), "workflow.cancelled");
    EXPECT_TEXT(fixture_member(&f, payload(&f, 0), "data"),
                "{\"name\":\"flow-i1.test\",\"cancelledAt\":\"2026-09-21T14:13:20.000Z\"}");
    fixture_close(&f);
    fixture_open(&f, "  - a: { raise: { error: { type: 'http://e/a', status: 500 } } }\n");
    fixture_start(&f, "null");
    EXPECT_TEXT(fixture_events(&f), "workflow.started; workflow.faulted");
    EXPECT_TEXT(fixture_member(&f, payload(&f, 1), "data"),
                "{\"name\":\"flow-i1.test\",\"faultedAt\":\"2026-09-21T14:13:20.000Z\","
                "\"error\":{\"type\":\"http://e/a\",\"status\":500,\"instance\":\"/do/0/a\"}}");
    fixture_close(&f);
}

/* ---- tasks */

TEST(lifecycle, a_task_is_created_started_and_completed)
{
    fixture f;
    fixture_open(&f, ALL "  - a: { set: { x: 1 } }\n  - b: { do: [ { c: { call: work } } ] }\n");
    fixture_start(&f, "null");
    EXPECT_TEXT(fixture_events(&f),
                "workflow.started; task.created /do/0/a 1; task.started /do/0/a 1; "
                "task.completed /do/0/a 1; task.created /do/1/b 2; task.started /do/1/b 2; "
                "task.created /do/1/b/do/0/c 3; task.started /do/1/b/do/0/c 3");
    EXPECT_TEXT(payload(&f, 1),
                "{\"specversion\":\"1.0\",\"id\":\"i1-1-2\",\"source\":\"/test/flow/1.0.0\","
                "\"type\":\"io.serverlessworkflow.task.created.v1\",\"subject\":\"i1\","
                "\"time\":\"2026-09-21T14:13:20.000Z\",\"datacontenttype\":\"application/json\","
                "\"data\":{\"workflow\":\"flow-i1.test\",\"task\":\"/do/0/a\",\"visit\":1,"
                "\"createdAt\":\"2026-09-21T14:13:20.000Z\"}}");
    EXPECT_TEXT(fixture_member(&f, payload(&f, 2), "data"),
                "{\"workflow\":\"flow-i1.test\",\"task\":\"/do/0/a\",\"visit\":1,"
                "\"startedAt\":\"2026-09-21T14:13:20.000Z\"}");
    EXPECT_TEXT(fixture_member(&f, payload(&f, 3), "data"),
                "{\"workflow\":\"flow-i1.test\",\"task\":\"/do/0/a\",\"visit\":1,"
                "\"completedAt\":\"2026-09-21T14:13:20.000Z\"}");
    fixture_reload(&f);
    fixture_result(&f, 3, 1, "1");
    EXPECT_TEXT(fixture_events(&f), "task.completed /do/1/b/do/0/c 3; task.completed /do/1/b 2; "
                                    "workflow.completed");
    fixture_close(&f);
}

TEST(lifecycle, only_the_kinds_that_are_listed_are_told)
{
    fixture f;
    fixture_open(
        &f, HEAD("{ workflow: [ completed ], tasks: [ started ] }") "  - a: { set: { x: 1 } }\n  - "
                                                                    "b: { set: { x: 2 } }\n");
    fixture_start(&f, "null");
    EXPECT_TEXT(fixture_events(&f),
                "task.started /do/0/a 1; task.started /do/1/b 2; workflow.completed");
    fixture_close(&f);
    fixture_open(&f, HEAD("{ workflow: none }") "  - a: { set: { x: 1 } }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.event_count, 0);
    fixture_close(&f);
}

TEST(lifecycle, completed_carries_the_output_as_the_definition_wants)
{
    static const struct {
        const char *lifecycle, *task, *workflow;
    } rows[] = {
        { HEAD("{ tasks: [ completed ], output: true }"), "{\"x\":1}", "{\"x\":1}" },
        { HEAD("{ tasks: [ completed ], output: false }"), "(absent)", "(absent)" },
        { HEAD("{ tasks: [ completed ] }"), "(absent)", "{\"x\":1}" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        char text[512];
        (void)snprintf(text, sizeof text, "%s  - a: { set: { x: 1 } }\n", rows[i].lifecycle);
        fixture_open(&f, text);
        fixture_start(&f, "null");
        EXPECT_TEXT(fixture_events(&f), "workflow.started; task.completed /do/0/a 1; "
                                        "workflow.completed");
        EXPECT_TEXT(fixture_member(&f, fixture_member(&f, payload(&f, 1), "data"), "output"),
                    rows[i].task);
        EXPECT_TEXT(fixture_member(&f, fixture_member(&f, payload(&f, 2), "data"), "output"),
                    rows[i].workflow);
        fixture_close(&f);
    }
}

TEST(lifecycle, a_task_that_is_skipped_has_no_events)
{
    fixture f;
    fixture_open(&f,
                 TASKS "  - a: { if: .no, set: { x: 1 } }\n  - b: { if: .yes, set: { x: 2 } }\n");
    fixture_start(&f, "{\"yes\":true}");
    EXPECT_TEXT(fixture_events(&f), "task.created /do/1/b 2; task.started /do/1/b 2; "
                                    "task.completed /do/1/b 2");
    fixture_close(&f);
}

TEST(lifecycle, a_task_whose_condition_fails_is_created_and_faults)
{
    fixture f;
    fixture_open(&f, TASKS "  - a: { if: 'error(\"no\")', set: { x: 1 } }\n");
    fixture_start(&f, "null");
    EXPECT_TEXT(fixture_events(&f), "task.created /do/0/a 1; task.faulted /do/0/a 1");
    fixture_close(&f);
}

TEST(lifecycle, an_error_ends_each_scope_up_to_the_one_that_catches_it)
{
    fixture f;
    fixture_open(
        &f,
        TASKS "  - t:\n"
              "      try:\n"
              "        - d: { do: [ { r: { raise: { error: { type: 'http://e/a', status: 500 } } } "
              "} ] }\n"
              "      catch: {}\n");
    fixture_start(&f, "null");
    EXPECT_TEXT(fixture_events(&f),
                "task.created /do/0/t 1; task.started /do/0/t 1; task.created /do/0/t/try/0/d 2; "
                "task.started /do/0/t/try/0/d 2; task.created /do/0/t/try/0/d/do/0/r 3; "
                "task.started /do/0/t/try/0/d/do/0/r 3; task.faulted /do/0/t/try/0/d/do/0/r 3; "
                "task.faulted /do/0/t/try/0/d 2; task.completed /do/0/t 1");
    EXPECT_TEXT(fixture_member(&f, payload(&f, 6), "data"),
                "{\"workflow\":\"flow-i1.test\",\"task\":\"/do/0/t/try/0/d/do/0/r\",\"visit\":3,"
                "\"faultedAt\":\"2026-09-21T14:13:20.000Z\",\"error\":{\"type\":\"http://e/a\","
                "\"status\":500,\"instance\":\"/do/0/t/try/0/d/do/0/r\"}}");
    fixture_close(&f);
}

TEST(lifecycle, an_uncaught_error_is_told_of_the_task_before_the_instance)
{
    fixture f;
    fixture_open(&f,
                 ALL "  - d: { do: [ { r: { raise: { error: { type: 'http://e/a', status: 500 } "
                     "} } } ] }\n");
    fixture_start(&f, "null");
    EXPECT_TEXT(fixture_events(&f),
                "workflow.started; task.created /do/0/d 1; task.started /do/0/d 1; "
                "task.created /do/0/d/do/0/r 2; task.started /do/0/d/do/0/r 2; "
                "task.faulted /do/0/d/do/0/r 2; workflow.faulted");
    fixture_close(&f);
}

TEST(lifecycle, a_try_is_retried_when_its_next_attempt_begins)
{
    fixture f;
    fixture_open(&f, TASKS
                 "  - t:\n"
                 "      try: [ { w: { call: work } } ]\n"
                 "      catch: { retry: { delay: PT10S, limit: { attempt: { count: 1 } } } }\n");
    fixture_start(&f, "null");
    fixture_failed(&f, 2, 1, "{\"status\":503}");
    EXPECT_TEXT(fixture_events(&f), "task.faulted /do/0/t/try/0/w 2");
    fixture_reload(&f);
    fixture_timer(&f, T0 + 10000);
    EXPECT_TEXT(fixture_events(&f), "task.retried /do/0/t 1; task.created /do/0/t/try/0/w 3; "
                                    "task.started /do/0/t/try/0/w 3");
    EXPECT_TEXT(fixture_member(&f, payload(&f, 0), "data"),
                "{\"workflow\":\"flow-i1.test\",\"task\":\"/do/0/t\",\"visit\":1,"
                "\"retriedAt\":\"2026-09-21T14:13:30.000Z\"}");
    fixture_close(&f);
}

TEST(lifecycle, tasks_that_have_begun_follow_their_instance_into_suspension_and_out)
{
    fixture f;
    fixture_open(&f, ALL "  - f:\n"
                         "      fork:\n"
                         "        branches:\n"
                         "          - a: { call: work }\n"
                         "          - b: { set: { x: 1 } }\n"
                         "          - c: { call: work }\n");
    f.settings.tasks_per_step = 3; /* c has not begun */
    fixture_start(&f, "null");
    EXPECT(f.t.cut);
    fixture_command(&f, PW_EVENT_SUSPEND, "ada", "");
    EXPECT_TEXT(fixture_events(&f), "workflow.suspended; task.suspended /do/0/f 1; "
                                    "task.suspended /do/0/f/fork/branches/0/a 2");
    EXPECT_TEXT(fixture_member(&f, payload(&f, 2), "data"),
                "{\"workflow\":\"flow-i1.test\",\"task\":\"/do/0/f/fork/branches/0/a\",\"visit\":2,"
                "\"suspendedAt\":\"2026-09-21T14:13:20.000Z\"}");
    fixture_reload(&f);
    fixture_result(&f, 2, 1, "1"); /* kept */
    EXPECT_INT(f.t.event_count, 0);
    fixture_command(&f, PW_EVENT_CONTINUE, "ada", "");
    EXPECT_TEXT(fixture_events(&f), "workflow.resumed; task.resumed /do/0/f 1; "
                                    "task.resumed /do/0/f/fork/branches/0/a 2; "
                                    "task.completed /do/0/f/fork/branches/0/a 2; "
                                    "task.created /do/0/f/fork/branches/2/c 4; "
                                    "task.started /do/0/f/fork/branches/2/c 4");
    EXPECT_TEXT(fixture_member(&f, payload(&f, 1), "data"),
                "{\"workflow\":\"flow-i1.test\",\"task\":\"/do/0/f\",\"visit\":1,"
                "\"resumedAt\":\"2026-09-21T14:13:20.000Z\"}");
    fixture_close(&f);
}

TEST(lifecycle, what_is_cancelled_is_told_from_the_inside_of_the_instance_outward)
{
    fixture f;
    fixture_open(&f, ALL "  - f:\n"
                         "      fork:\n"
                         "        branches:\n"
                         "          - a: { call: work }\n"
                         "          - b: { call: work }\n");
    f.settings.tasks_per_step = 2; /* b has not begun, and so never was */
    fixture_start(&f, "null");
    fixture_command(&f, PW_EVENT_CANCEL, "ada", "");
    EXPECT_TEXT(fixture_entries(&f),
                "instance.cancelled; task.cancelled /do/0/f/fork/branches/0/a; "
                "task.cancelled /do/0/f/fork/branches/1/b; "
                "task.cancelled /do/0/f");
    EXPECT_TEXT(fixture_events(&f), "task.cancelled /do/0/f/fork/branches/0/a 2; "
                                    "task.cancelled /do/0/f 1; workflow.cancelled");
    EXPECT_TEXT(fixture_member(&f, payload(&f, 0), "data"),
                "{\"workflow\":\"flow-i1.test\",\"task\":\"/do/0/f/fork/branches/0/a\",\"visit\":2,"
                "\"cancelledAt\":\"2026-09-21T14:13:20.000Z\"}");
    fixture_close(&f);
}

TEST(lifecycle, an_event_that_is_emitted_stands_among_them_in_its_order)
{
    fixture f;
    fixture_open(&f, ALL "  - e: { emit: { event: { with: { type: told } } } }\n");
    fixture_start(&f, "null");
    EXPECT_TEXT(fixture_events(&f), "workflow.started; task.created /do/0/e 1; "
                                    "task.started /do/0/e 1; told; task.completed /do/0/e 1; "
                                    "workflow.completed");
    fixture_close(&f);
}

TEST(lifecycle, the_same_step_gives_the_same_events)
{
    fixture f;
    fixture_open(&f, ALL "  - a: { for: { in: '[1,2]' }, do: [ { b: { set: { x: 1 } } } ] }\n");
    fixture_start(&f, "null");
    const char *events = fixture_events(&f), *last = payload(&f, f.t.event_count - 1);
    fixture g;
    fixture_open(&g, ALL "  - a: { for: { in: '[1,2]' }, do: [ { b: { set: { x: 1 } } } ] }\n");
    fixture_start(&g, "null");
    EXPECT_TEXT(fixture_events(&g), events);
    EXPECT_TEXT(payload(&g, g.t.event_count - 1), last);
    EXPECT_TEXT(events, "workflow.started; task.created /do/0/a 1; task.started /do/0/a 1; "
                        "task.created /do/0/a/do/0/b 2; task.started /do/0/a/do/0/b 2; "
                        "task.completed /do/0/a/do/0/b 2; task.created /do/0/a/do/0/b 3; "
                        "task.started /do/0/a/do/0/b 3; task.completed /do/0/a/do/0/b 3; "
                        "task.completed /do/0/a 1; workflow.completed");
    fixture_close(&f);
    fixture_close(&g);
}

/* ---- size */

TEST(lifecycle, a_step_ends_when_its_events_are_large)
{
    fixture f;
    fixture_open(
        &f, HEAD("{ tasks: [ completed ], output: true }") "  - a: { set: { x: '${ \"0123456789\" "
                                                           "* 500000 }' } }\n" /* 5 MB */
                                                           "  - b: { set: '${ . }' }\n"
                                                           "  - c: { set: { x: 1 } }\n");
    fixture_start(&f, "null");
    EXPECT_TEXT(fixture_events(&f), "workflow.started; task.completed /do/0/a 1; "
                                    "task.completed /do/1/b 2");
    EXPECT(f.t.cut);
    fixture_drive(&f);
    EXPECT_TEXT(fixture_events(&f), "task.completed /do/2/c 3; workflow.completed");
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

TEST_MAIN()
