/* compensate_test.c - what was done is undone by its rows: in what order, with what, and what
 * becomes of it. */
#include "plan_bench.h"
#include "core/step.h"

/* ------------------------------------------------------------------ carrying it out */

TEST(compensate, steps_are_carried_out_in_reverse_order_one_after_the_other)
{
    bench b;
    start(&b, ON("") "do:\n  - a: " DOES("a") "\n  - b: " DOES("b") "\n  - c: { call: do-c }\n");
    result(&b, 1, "{\"id\":41}");
    result(&b, 2, "{\"id\":42}");
    EXPECT_TEXT(rows(&b), "1 /do/0/a registered {\"of\":41}; 2 /do/1/b registered {\"of\":42}");
    command(&b, PW_EVENT_COMPENSATE);
    EXPECT_STATUS(b.f, "compensating");
    EXPECT_TEXT(fixture_entries(&b.f), "compensation.started; task.cancelled /do/2/c; "
                                       "task.started /document/metadata/pawl/compensation");
    EXPECT_TEXT(fixture_entry_text(&b.f, 0), "{\"type\":\"compensation.started\",\"by\":\"ann\","
                                             "\"reason\":\"because\",\"trigger\":\"request\","
                                             "\"registered\":2}");
    EXPECT_TEXT(work(&b), "not do-c 3 {}");
    EXPECT_INT(b.f.t.wake_at, 0);
    plans(&b);
    EXPECT_INT(b.plans, 1);
    EXPECT_TEXT(work(&b), "un-b 5 {\"of\":42}");
    EXPECT_TEXT(rows(&b), "1 /do/0/a registered {\"of\":41}; 2 /do/1/b running {\"of\":42}");
    EXPECT_TEXT(fixture_entries(&b.f), "compensation.planned /document/metadata/pawl/compensation; "
                                       "compensation.step /do/1/b/metadata/pawl/compensate; "
                                       "task.started /do/1/b/metadata/pawl/compensate");
    EXPECT_TEXT(fixture_entry_text(&b.f, 1),
                "{\"type\":\"compensation.step\",\"task\":\"/do/1/b/metadata/pawl/"
                "compensate\",\"visit\":5,\"ordinal\":2,\"undoes\":\"/do/1/b\"}");
    result(&b, 5, "null");
    EXPECT_STATUS(b.f, "compensating");
    EXPECT_TEXT(work(&b), "un-a 6 {\"of\":41}");
    result(&b, 6, "null");
    EXPECT_STATUS(b.f, "compensated");
    EXPECT_TEXT(rows(&b), "1 /do/0/a done {\"of\":41}; 2 /do/1/b done {\"of\":42}");
    EXPECT_TEXT(fixture_entries(&b.f),
                "task.completed /do/0/a/metadata/pawl/compensate; "
                "compensation.completed /document/metadata/pawl/compensation");
    EXPECT_TEXT(fixture_entry_text(&b.f, 1), "{\"type\":\"compensation.completed\",\"task\":\"/"
                                             "document/metadata/pawl/compensation\",\"visit\":4,"
                                             "\"done\":2,\"failed\":0,\"skipped\":0}");
    EXPECT_TEXT(fixture_events(&b.f), "io.pawl.instance.compensated.v1");
    stop(&b);
}

TEST(compensate, a_required_step_that_fails_is_an_incident_in_its_place)
{
    bench b;
    start(&b, ON("") "do:\n  - a: " DOES("a") "\n  - b: " DOES("b") "\n  - c: { call: do-c }\n");
    result(&b, 1, "{\"id\":41}");
    result(&b, 2, "{\"id\":42}");
    compensate(&b);
    failed(&b, 5);
    EXPECT_STATUS(b.f, "faulted");
    EXPECT(pw_state_has_incident(b.f.state));
    EXPECT_STR(b.f.t.fault->task, "/do/1/b/metadata/pawl/compensate");
    EXPECT_CONTAINS(fixture_text(&b.f, b.f.t.fault->action), "2 steps are left");
    EXPECT_TEXT(rows(&b), "1 /do/0/a registered {\"of\":41}; 2 /do/1/b running {\"of\":42}");
    command(&b, PW_EVENT_RETRY);
    EXPECT_STATUS(b.f, "compensating");
    EXPECT_TEXT(work(&b), "un-b 7 {\"of\":42}");
    result(&b, 7, "null");
    EXPECT_TEXT(work(&b), "un-a 6 {\"of\":41}");
    result(&b, 6, "null");
    EXPECT_STATUS(b.f, "compensated");
    EXPECT_TEXT(rows(&b), "1 /do/0/a done {\"of\":41}; 2 /do/1/b done {\"of\":42}");
    stop(&b);
}

TEST(compensate, branches_of_a_fork_are_undone_side_by_side)
{
    bench b;
    start(&b, ON("") "do:\n  - first: " DOES(
                  "first") "\n  - both:\n      fork:\n        branches:\n"
                           "          - x: { do: [ { x1: " DOES("x1") " }, { x2: " DOES(
                               "x2") " } ] }\n          - y: " DOES("y") "\n"
                                                                         "  - after: " DOES(
                                                                             "after") "\n");
    result(&b, 1, "{\"id\":1}");
    result(&b, 5, "{\"id\":2}");
    result(&b, 4, "{\"id\":3}");
    result(&b, 6, "{\"id\":4}");
    result(&b, 7, "{\"id\":5}");
    EXPECT_STATUS(b.f, "completed");
    EXPECT_TEXT(rows(&b), "1 /do/0/first registered {\"of\":1}; 2 "
                          "/do/1/both/fork/branches/0/x/do/0/x1 registered {\"of\":2}; "
                          "3 /do/1/both/fork/branches/1/y registered {\"of\":3}; 4 "
                          "/do/1/both/fork/branches/0/x/do/1/x2 registered {\"of\":4}; "
                          "5 /do/2/after registered {\"of\":5}");
    compensate(&b);
    EXPECT_TEXT(work(&b), "un-after 9 {\"of\":5}");
    result(&b, 9, "null");
    EXPECT_TEXT(work(&b), "un-x2 10 {\"of\":4}; un-y 11 {\"of\":3}");
    result(&b, 10, "null");
    EXPECT_TEXT(work(&b), "un-x1 12 {\"of\":2}");
    result(&b, 12, "null");
    EXPECT_TEXT(work(&b), ""); /* y is still being undone */
    result(&b, 11, "null");
    EXPECT_TEXT(work(&b), "un-first 13 {\"of\":1}");
    result(&b, 13, "null");
    EXPECT_STATUS(b.f, "compensated");
    stop(&b);
}

TEST(compensate, branches_are_told_apart_by_their_whole_number)
{
    bench b;
    char text[2000];
    size_t at = (size_t)snprintf(text, sizeof text,
                                 ON("") "do:\n  - wide:\n      fork:\n        branches:\n");
    for (int i = 0; i < 11; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "          - b%d: " DOES("x") "\n", i);
    start(&b, text);
    for (uint64_t visit = 2; visit < 13; visit++)
        result(&b, visit, "{\"id\":1}");
    EXPECT_STR(b.rows[10].branch, "1.10");
    compensate(&b);
    EXPECT_INT(b.f.t.work_count, 11);
    stop(&b);
}

TEST(compensate, what_can_undo_calls_asks_and_tells)
{
    bench b;
    start(&b, ON("") "use: { functions: { f: { do: [ { in: { call: un-it, with: { v: '${ . }' } } "
                     "} ] } } }\n"
                     "do:\n  - a: { call: do-a, metadata: { pawl: { compensate: { emit: { event: { "
                     "with: { type: undone, data: '${ .id }' } } } } } } }\n"
                     "  - b: { call: do-b, metadata: { pawl: { compensate: { call: userTask, with: "
                     "{ title: '${ \"undo \\(.id)\" }' } } } } }\n"
                     "  - c: { call: do-c, metadata: { pawl: { compensate: { call: f, with: { of: "
                     "'${ .id }' } } } } }\n");
    result(&b, 1, "{\"id\":1}");
    result(&b, 2, "{\"id\":2}");
    result(&b, 3, "{\"id\":3}");
    EXPECT_TEXT(rows(&b), "1 /do/0/a registered {\"type\":\"undone\",\"data\":1}; 2 /do/1/b "
                          "registered {\"title\":\"undo 2\"}; "
                          "3 /do/2/c registered {\"of\":3}");
    compensate(&b);
    EXPECT_TEXT(work(&b), "un-it 9 {\"v\":{\"of\":3}}");
    result(&b, 9, "null");
    EXPECT_INT(b.f.t.bookmark_count, 1);
    EXPECT_STR(b.f.t.bookmarks[0].payload, "{\"title\":\"undo 2\"}");
    fixture_resume(&b.f, fixture_text(&b.f, b.f.t.bookmarks[0].key), "{}", "ann");
    keep(&b);
    EXPECT_STATUS(b.f, "compensated");
    EXPECT_INT(b.f.t.event_count, 2);
    EXPECT_STR(b.f.t.events[0].type, "undone");
    EXPECT_TEXT(
        rows(&b),
        "1 /do/0/a done {\"type\":\"undone\",\"data\":1}; 2 /do/1/b done {\"title\":\"undo 2\"}; "
        "3 /do/2/c done {\"of\":3}");
    stop(&b);
}

TEST(compensate, what_undoes_leaves_no_rows_itself)
{
    bench b;
    start(
        &b,
        ON("") "use: { functions: { f: { do: [ { in: " DOES(
            "in") " } ] } } }\n"
                  "do:\n  - a: { call: do-a, metadata: { pawl: { compensate: { call: f } } } }\n");
    result(&b, 1, "{}");
    compensate(&b);
    result(&b, 5, "{\"id\":7}");
    EXPECT_STATUS(b.f, "compensated");
    EXPECT_INT(b.count, 1);
    stop(&b);
}

TEST(compensate, an_optional_step_that_fails_is_told_of_and_let_pass)
{
    bench b;
    start(&b, ON("") "do:\n  - a: " DOES(
                  "a") "\n"
                       "  - b: { call: do-b, metadata: { pawl: { compensate: { call: un-b, "
                       "metadata: { pawl: { required: false } } } } } }\n");
    fixture_retries(&b.f, 1);
    result(&b, 1, "{\"id\":1}");
    result(&b, 2, "{\"id\":2}");
    compensate(&b);
    EXPECT_TEXT(work(&b), "un-b 4 {}");
    fixture_failed(&b.f, 4, 1, "{\"status\":503,\"title\":\"no\"}");
    keep(&b);
    EXPECT_TEXT(fixture_entries(&b.f),
                "attempt.failed /do/1/b/metadata/pawl/compensate"); /* the policy goes first */
    fixture_timer(&b.f, T0 + 1000);
    keep(&b);
    fixture_failed(&b.f, 4, 2, "{\"status\":503,\"title\":\"no\"}");
    keep(&b);
    EXPECT_STATUS(b.f, "compensating");
    EXPECT_TEXT(fixture_entries(&b.f), "task.faulted /do/1/b/metadata/pawl/compensate; "
                                       "compensation.failed /do/1/b/metadata/pawl/compensate; "
                                       "compensation.step /do/0/a/metadata/pawl/compensate; "
                                       "task.started /do/0/a/metadata/pawl/compensate");
    EXPECT_TEXT(rows(&b), "1 /do/0/a running {\"of\":1}; 2 /do/1/b failed {}");
    EXPECT_TEXT(fixture_member(&b.f, fixture_text(&b.f, b.rows[1].error), "title"), "no");
    result(&b, 5, "null");
    EXPECT_STATUS(b.f, "compensated");
    EXPECT_TEXT(fixture_member(&b.f, fixture_entry_text(&b.f, 1), "failed"), "1");
    stop(&b);
}

TEST(compensate, a_step_without_arguments_waits_for_a_person)
{
    bench b;
    start(&b, ON("") "do:\n  - a: { call: do-a, metadata: { pawl: { compensate: { call: un-a, "
                     "with: { x: '${ .id.y }' } } } } }\n");
    result(&b, 1, "{\"id\":41}");
    compensate(&b);
    EXPECT_STATUS(b.f, "faulted");
    EXPECT_STR(b.f.t.fault->class_, "argument");
    EXPECT_STR(b.f.t.fault->task, "/do/0/a/metadata/pawl/compensate");
    command(&b, PW_EVENT_RETRY);
    EXPECT_STATUS(b.f, "faulted"); /* it has none yet */
    pw_event event = {
        .kind = PW_EVENT_RETRY, .now_ms = b.f.now_ms, .seed = 7, .actor = PW_LIT("ann")
    };
    pawl_error err;
    EXPECT_OK(pw_json_parse(&event.payload, PW_LIT("{\"x\":3}"), NULL, &b.f.arena, &err), err);
    fixture_event(&b.f, &event);
    keep(&b);
    EXPECT_TEXT(work(&b), "un-a 5 {\"x\":3}");
    result(&b, 5, "null");
    EXPECT_STATUS(b.f, "compensated");
    EXPECT_TEXT(rows(&b), "1 /do/0/a done");
    stop(&b);
}

TEST(compensate, a_step_that_is_skipped_is_not_carried_out)
{
    bench b;
    start(&b, ON("") "do:\n  - a: " DOES("a") "\n  - b: " DOES("b") "\n");
    result(&b, 1, "{\"id\":1}");
    result(&b, 2, "{\"id\":2}");
    compensate(&b);
    failed(&b, 4);
    EXPECT_STATUS(b.f, "faulted");
    command(&b, PW_EVENT_SKIP);
    EXPECT_STATUS(b.f, "compensating");
    EXPECT_STR(b.f.t.resolution, "skipped");
    EXPECT_TEXT(work(&b), "un-a 5 {\"of\":1}");
    EXPECT_TEXT(rows(&b), "1 /do/0/a running {\"of\":1}; 2 /do/1/b skipped {\"of\":2}");
    result(&b, 5, "null");
    EXPECT_STATUS(b.f, "compensated");
    EXPECT_TEXT(fixture_member(&b.f, fixture_entry_text(&b.f, 1), "skipped"), "1");
    stop(&b);
}

TEST(compensate, who_is_asked_about_a_step_cannot_have_it_compensated)
{
    bench b;
    start(&b, HEAD ", metadata: { pawl: { compensation: { on: [] }, onFault: { call: userTask } } "
                   "} }\ndo:\n  - a: " DOES("a") "\n");
    result(&b, 1, "{\"id\":1}");
    compensate(&b);
    failed(&b, 3);
    EXPECT_STATUS(b.f, "faulted");
    const char *key = fixture_text(&b.f, b.f.t.bookmarks[0].key);
    fixture_resume(&b.f, key, "{\"action\":\"compensate\"}", "ann");
    EXPECT(!b.f.t.changed && !b.f.t.repeated);
    EXPECT_INT(b.f.t.code, PAWL_STATE);
    fixture_resume(&b.f, key, "{\"action\":\"skip\"}", "ann");
    keep(&b);
    EXPECT_STATUS(b.f, "compensated");
    EXPECT_TEXT(rows(&b), "1 /do/0/a skipped {\"of\":1}");
    stop(&b);
}

TEST(compensate, no_other_task_can_be_gone_to_from_a_step)
{
    bench b;
    start(&b, ON("") "do:\n  - a: " DOES("a") "\n");
    result(&b, 1, "{\"id\":1}");
    compensate(&b);
    failed(&b, 3);
    pw_event event = { .kind = PW_EVENT_GOTO,
                       .now_ms = b.f.now_ms,
                       .seed = 7,
                       .task = PW_LIT("/do/0/a"),
                       .confirmed = true };
    fixture_event(&b.f, &event);
    EXPECT(!b.f.t.changed);
    EXPECT_INT(b.f.t.code, PAWL_INVALID);
    stop(&b);
}

TEST(compensate, what_runs_beside_a_failed_step_goes_on)
{
    bench b;
    start(&b,
          ON("") "do:\n  - first: " DOES("first") "\n  - both: { fork: { branches: [ { x: " DOES(
              "x") " }, { y: " DOES("y") " } ] } }\n");
    result(&b, 1, "{\"id\":1}");
    result(&b, 3, "{\"id\":2}");
    result(&b, 4, "{\"id\":3}");
    compensate(&b);
    EXPECT_TEXT(work(&b), "un-y 6 {\"of\":3}; un-x 7 {\"of\":2}");
    failed(&b, 6);
    EXPECT_STATUS(b.f, "faulted");
    result(&b, 7, "null");
    EXPECT_TEXT(fixture_entries(&b.f),
                "result.kept /do/1/both/fork/branches/0/x/metadata/pawl/compensate");
    command(&b, PW_EVENT_SKIP);
    EXPECT_TEXT(work(&b), "un-first 8 {\"of\":1}");
    result(&b, 8, "null");
    EXPECT_STATUS(b.f, "compensated");
    EXPECT_TEXT(rows(&b),
                "1 /do/0/first done {\"of\":1}; 2 /do/1/both/fork/branches/0/x done {\"of\":2}; "
                "3 /do/1/both/fork/branches/1/y skipped {\"of\":3}");
    stop(&b);
}

TEST(compensate, a_suspended_compensation_goes_on_where_it_was)
{
    bench b;
    start(&b, ON("") "do:\n  - a: " DOES("a") "\n  - b: " DOES("b") "\n");
    result(&b, 1, "{\"id\":1}");
    result(&b, 2, "{\"id\":2}");
    command(&b, PW_EVENT_COMPENSATE);
    command(&b, PW_EVENT_SUSPEND);
    EXPECT_STATUS(b.f, "suspended");
    EXPECT(!plan(&b));                              /* it does not ask */
    pw_undo_step page[] = { b.rows[1], b.rows[0] }; /* it has asked before */
    pw_event event = { .kind = PW_EVENT_PLAN,
                       .now_ms = b.f.now_ms,
                       .seed = 7,
                       .visit = 3,
                       .number = 3,
                       .plan = page,
                       .plan_count = 2,
                       .plan_ends = true };
    fixture_event(&b.f, &event);
    keep(&b);
    EXPECT_STATUS(b.f, "suspended");
    EXPECT_TEXT(work(&b), "");
    command(&b, PW_EVENT_CONTINUE);
    EXPECT_STATUS(b.f, "compensating");
    EXPECT_TEXT(work(&b), "un-b 4 {\"of\":2}");
    command(&b, PW_EVENT_SUSPEND);
    result(&b, 4, "null");
    EXPECT_STATUS(b.f, "suspended");
    EXPECT_TEXT(rows(&b), "1 /do/0/a registered {\"of\":1}; 2 /do/1/b running {\"of\":2}");
    command(&b, PW_EVENT_CONTINUE);
    EXPECT_TEXT(work(&b), "un-a 5 {\"of\":1}");
    command(&b, PW_EVENT_SUSPEND);
    result(&b, 5, "null");
    command(&b, PW_EVENT_CONTINUE);
    EXPECT_STATUS(b.f, "compensated");
    stop(&b);
}

TEST(compensate, a_plan_is_read_by_pages_and_the_state_has_one_of_them)
{
    bench b;
    start(&b, ON("") "do:\n  - all:\n      for: { in: '[range(70)]' }\n      do: [ { a: " DOES(
                  "a") " } ]\n");
    for (uint64_t visit = 2; visit < 72; visit++)
        result(&b, visit, "{\"id\":1}");
    EXPECT_STATUS(b.f, "completed");
    command(&b, PW_EVENT_COMPENSATE);
    EXPECT(plan(&b));
    EXPECT_TEXT(
        fixture_entry_text(&b.f, 0),
        "{\"type\":\"compensation.planned\",\"task\":\"/document/metadata/pawl/compensation\","
        "\"visit\":72,\"steps\":32,\"more\":true}");
    size_t longest = b.f.t.state_text.len;
    uint64_t next = b.f.t.work[0].visit;
    for (int i = 0; i < 70; i++) {
        EXPECT_STATUS(b.f, "compensating");
        EXPECT(!plan(&b));
        result(&b, next, "null");
        next = b.f.t.work_count ? b.f.t.work[0].visit : 0;
        plans(&b);
        EXPECT(b.f.t.state_text.len <= longest + 40);
    }
    EXPECT_STATUS(b.f, "compensated");
    EXPECT_INT(b.plans, 4); /* 32 steps, and 16 more whenever 16 are left */
    for (size_t i = 0; i < b.count; i++)
        EXPECT_INT(b.rows[i].state, PW_UNDO_DONE);
    stop(&b);
}

TEST(compensate, a_plan_that_was_read_for_something_else_changes_nothing)
{
    bench b;
    start(&b, ON("") "do:\n  - a: " DOES("a") "\n");
    result(&b, 1, "{\"id\":1}");
    command(&b, PW_EVENT_COMPENSATE);
    pw_event event = { .kind = PW_EVENT_PLAN,
                       .now_ms = b.f.now_ms,
                       .seed = 7,
                       .visit = 2,
                       .number = 1,
                       .plan_ends = true };
    fixture_event(&b.f, &event);
    EXPECT(!b.f.t.changed);
    event.number = 2, event.visit = 9;
    fixture_event(&b.f, &event);
    EXPECT(!b.f.t.changed);
    event.visit = 2;
    fixture_event(&b.f, &event); /* nothing is left: somebody else was there */
    EXPECT_STATUS(b.f, "compensated");
    stop(&b);
}

/* ------------------------------------------------------------------ triggers */

TEST(compensate, a_definition_may_have_itself_compensated_when_it_faults)
{
    bench b;
    start(&b, ON("faulted") "do:\n  - a: " DOES("a") "\n  - b: { call: do-b }\n");
    result(&b, 1, "{\"id\":1}");
    failed(&b, 2);
    EXPECT_STATUS(b.f, "compensating");
    EXPECT(!pw_state_has_incident(b.f.state));
    EXPECT_STR(b.f.t.fault->decision, "compensate");
    EXPECT_STR(b.f.t.fault->resolution, "compensating");
    EXPECT_STR(b.f.t.resolution, "");
    EXPECT_TEXT(
        fixture_entries(&b.f),
        "task.faulted /do/1/b; instance.faulted; compensation.started; task.cancelled /do/1/b; "
        "task.started /document/metadata/pawl/compensation");
    EXPECT_TEXT(fixture_entry_text(&b.f, 2), "{\"type\":\"compensation.started\",\"by\":\"system\","
                                             "\"trigger\":\"faulted\",\"registered\":1}");
    EXPECT_TEXT(fixture_member(&b.f, fixture_entry_text(&b.f, 1), "requiresManualIntervention"),
                "false");
    plans(&b);
    result(&b, 4, "null");
    EXPECT_STATUS(b.f, "compensated");
    EXPECT_TEXT(fixture_member(&b.f, fixture_text(&b.f, b.f.t.error), "title"), "no");
    stop(&b);
}

TEST(compensate, a_fault_with_nothing_to_undo_is_an_incident_as_ever)
{
    bench b;
    start(&b, ON("faulted") "do:\n  - a: " DOES("a") "\n");
    failed(&b, 1);
    EXPECT_STATUS(b.f, "faulted");
    EXPECT(pw_state_has_incident(b.f.state));
    EXPECT_STR(b.f.t.fault->decision, "incident");
    EXPECT(strstr(fixture_text(&b.f, b.f.t.fault->action), "undone") == NULL);
    stop(&b);
}

TEST(compensate, a_fault_says_what_could_be_undone)
{
    bench b;
    start(&b, ON("") "do:\n  - a: " DOES("a") "\n  - b: { call: do-b }\n");
    result(&b, 1, "{\"id\":1}");
    failed(&b, 2);
    EXPECT_CONTAINS(fixture_text(&b.f, b.f.t.fault->action),
                    "1 step was registered, `pawl compensate --plan i1`");
    EXPECT_TEXT(fixture_member(&b.f, fixture_entry_text(&b.f, 1), "undo"), "1");
    command(&b, PW_EVENT_COMPENSATE);
    EXPECT_STR(b.f.t.resolution, "compensating");
    plans(&b);
    result(&b, 4, "null");
    EXPECT_STATUS(b.f, "compensated");
    EXPECT_TEXT(fixture_member(&b.f, fixture_text(&b.f, b.f.t.error), "title"), "no");
    stop(&b);
}

TEST(compensate, a_definition_may_have_itself_compensated_when_it_is_cancelled)
{
    bench b;
    start(&b, ON("cancelled") "do:\n  - a: " DOES("a") "\n  - b: { call: do-b }\n");
    command(&b, PW_EVENT_CANCEL);
    EXPECT_STATUS(b.f, "compensating"); /* what is in flight may have had its effect */
    stop(&b);
    start(&b, ON("cancelled") "do:\n  - w: { wait: PT1H }\n  - a: " DOES("a") "\n");
    command(&b, PW_EVENT_CANCEL);
    EXPECT_STATUS(b.f, "cancelled");
    stop(&b);
    start(&b, ON("cancelled") "do:\n  - a: " DOES("a") "\n  - b: { call: do-b }\n");
    result(&b, 1, "{\"id\":1}");
    command(&b, PW_EVENT_CANCEL);
    EXPECT_TEXT(fixture_entries(&b.f),
                "instance.cancelled; compensation.started; task.cancelled /do/1/b; "
                "task.started /document/metadata/pawl/compensation");
    EXPECT_TEXT(fixture_entry_text(&b.f, 1),
                "{\"type\":\"compensation.started\",\"by\":\"ann\",\"reason\":\"because\","
                "\"trigger\":\"cancelled\",\"registered\":1}");
    plans(&b);
    result(&b, 4, "null");
    EXPECT_STATUS(b.f, "compensated");
    stop(&b);
}

TEST(compensate, a_workflow_that_times_out_is_undone_without_its_timeout)
{
    bench b;
    start(&b, ON("faulted") "timeout: { after: PT1M }\ndo:\n  - a: " DOES(
                  "a") "\n  - b: { call: do-b }\n");
    b.f.settings.long_running_ms = 90000;
    result(&b, 1, "{\"id\":1}");
    fixture_timer(&b.f, T0 + 60000);
    keep(&b);
    EXPECT_STATUS(b.f, "compensating");
    EXPECT_INT(b.f.t.timer_at, PW_WAKE_NEVER); /* neither a timeout nor a word of its long run */
    plans(&b);
    result(&b, 4, "null");
    EXPECT_STATUS(b.f, "compensated");
    stop(&b);
    start(&b,
          ON("") "timeout: { after: PT1M }\ndo:\n  - a: " DOES("a") "\n  - b: { call: do-b }\n");
    result(&b, 1, "{\"id\":1}");
    EXPECT_INT(b.f.t.timer_at, T0 + 60000);
    command(&b, PW_EVENT_COMPENSATE);
    EXPECT_INT(b.f.t.timer_at, PW_WAKE_NEVER);
    stop(&b);
}

/* ------------------------------------------------------------------ call: compensate */

TEST(compensate, a_task_may_have_the_whole_undone_and_goes_on)
{
    bench b;
    start(&b, HEAD " }\ndo:\n  - t:\n      try: [ { a: " DOES("a") " }, { b: " DOES(
                  "b") " }, { c: { call: do-c } } ]\n"
                       "      catch: { do: [ { undo: { call: compensate } } ] }\n  - last: { call: "
                       "do-last, with: { got: '${ . }' } }\n");
    result(&b, 2, "{\"id\":1}");
    result(&b, 3, "{\"id\":2}");
    failed(&b, 4);
    EXPECT_STATUS(b.f, "waiting");
    EXPECT_INT(b.f.t.wake_at, 0);
    plans(&b);
    EXPECT_TEXT(work(&b), "un-b 6 {\"of\":2}");
    result(&b, 6, "null");
    EXPECT_STATUS(b.f, "waiting");
    EXPECT_TEXT(work(&b), "un-a 7 {\"of\":1}");
    result(&b, 7, "null");
    EXPECT_TEXT(work(&b), "do-last 8 {\"got\":{\"done\":2,\"failed\":0,\"skipped\":0}}");
    EXPECT_TEXT(
        fixture_entries(&b.f),
        "task.completed /do/0/t/try/0/a/metadata/pawl/compensate; compensation.completed "
        "/do/0/t/catch/do/0/undo; "
        "task.completed /do/0/t/catch/do/0/undo; task.completed /do/0/t; task.started /do/1/last");
    stop(&b);
}

TEST(compensate, a_task_may_have_undone_what_was_done_in_another)
{
    bench b;
    start(&b, HEAD " }\ndo:\n  - a: " DOES("a") "\n  - part: { do: [ { b: " DOES(
                  "b") " } ] }\n  - partial: " DOES("c") "\n"
                                                         "  - undo: { call: compensate, with: { "
                                                         "scope: part } }\n");
    result(&b, 1, "{\"id\":1}");
    result(&b, 3, "{\"id\":2}");
    result(&b, 4, "{\"id\":3}");
    plans(&b);
    EXPECT_TEXT(work(&b), "un-b 6 {\"of\":2}");
    result(&b, 6, "null");
    EXPECT_STATUS(b.f, "completed");
    EXPECT_OUTPUT(b.f, "{\"done\":1,\"failed\":0,\"skipped\":0}");
    EXPECT_TEXT(rows(&b), "1 /do/0/a registered {\"of\":1}; 2 /do/1/part/do/0/b done {\"of\":2}; 3 "
                          "/do/2/partial registered {\"of\":3}");
    compensate(&b); /* the rest */
    EXPECT_TEXT(work(&b), "un-c 8 {\"of\":3}");
    stop(&b);
}

TEST(compensate, nothing_to_undo_is_done_at_once)
{
    bench b;
    start(&b, HEAD " }\ndo:\n  - undo: { call: compensate }\n  - a: " DOES("a") "\n");
    EXPECT_STATUS(b.f, "waiting");
    EXPECT_TEXT(fixture_entries(&b.f),
                "instance.started; task.started /do/0/undo; compensation.completed /do/0/undo; "
                "task.completed /do/0/undo; "
                "task.started /do/1/a");
    stop(&b);
}

TEST(compensate, no_try_sees_the_error_of_a_step)
{
    bench b;
    start(&b, HEAD " }\ndo:\n  - a: " DOES(
                  "a") "\n  - t: { try: [ { undo: { call: compensate } } ], catch: {} }\n");
    result(&b, 1, "{\"id\":1}");
    plans(&b);
    failed(&b, 4);
    EXPECT_STATUS(b.f, "faulted");
    EXPECT(pw_state_has_incident(b.f.state));
    command(&b, PW_EVENT_RETRY);
    EXPECT_STATUS(b.f, "waiting");
    result(&b, 5, "null");
    EXPECT_STATUS(b.f, "completed");
    stop(&b);
}

TEST(compensate, what_was_let_go_of_is_carried_out_by_who_comes_next_under_the_same_key)
{
    bench b;
    start(&b, HEAD " }\ndo:\n  - a: " DOES("a") "\n  - undo: { call: compensate }\n");
    result(&b, 1, "{\"id\":1}");
    plans(&b);
    pw_str key = b.f.t.work[0].key;
    EXPECT_TEXT(rows(&b), "1 /do/0/a running {\"of\":1}");
    command(&b, PW_EVENT_COMPENSATE);
    EXPECT_STATUS(b.f, "compensating");
    EXPECT_TEXT(work(&b), "not un-a 3 {\"of\":1}");
    EXPECT_TEXT(rows(&b), "1 /do/0/a registered {\"of\":1}");
    plans(&b);
    EXPECT_TEXT(work(&b), "un-a 5 {\"of\":1}");
    EXPECT(pw_str_eq(b.f.t.work[0].key, key));
    stop(&b);
}

/* ------------------------------------------------------------------ commands */

static void expect_refused(bench *b, pawl_code code, pawl_reason reason)
{
    EXPECT(!b->f.t.changed);
    EXPECT(!b->f.t.repeated);
    EXPECT_INT(b->f.t.code, code);
    EXPECT_INT(b->f.t.reason, reason);
}

TEST(compensate, what_is_done_already_or_cannot_be_done_is_said)
{
    bench b;
    start(&b, ON("") "do:\n  - w: { wait: PT1H }\n  - a: " DOES("a") "\n");
    command(&b, PW_EVENT_COMPENSATE);
    expect_refused(&b, PAWL_STATE, PAWL_REASON_NO_COMPENSATION);
    fixture_timer(&b.f, T0 + 3600000);
    keep(&b);
    result(&b, 2, "{\"id\":1}");
    EXPECT_STATUS(b.f, "completed");
    pw_event part = { .kind = PW_EVENT_COMPENSATE,
                      .now_ms = b.f.now_ms,
                      .task = PW_LIT("/do/1/a") };
    fixture_event(&b.f, &part);
    expect_refused(&b, PAWL_INVALID, PAWL_REASON_NONE);
    command(&b, PW_EVENT_COMPENSATE);
    EXPECT_STATUS(b.f, "compensating");
    command(&b, PW_EVENT_COMPENSATE);
    EXPECT(b.f.t.repeated);
    command(&b, PW_EVENT_CANCEL);
    expect_refused(&b, PAWL_STATE, PAWL_REASON_NONE);
    plans(&b);
    result(&b, 4, "null");
    EXPECT_STATUS(b.f, "compensated");
    command(&b, PW_EVENT_COMPENSATE);
    EXPECT(b.f.t.repeated);
    command(&b, PW_EVENT_CANCEL);
    expect_refused(&b, PAWL_STATE, PAWL_REASON_ENDED);
    stop(&b);
}

TEST(compensate, a_compensation_that_is_given_up_goes_on_with_what_is_left)
{
    static const struct {
        pw_event_kind kind;
        const char *status, *error;
    } cases[] = {
        { PW_EVENT_FAIL, "faulted",
          "{\"type\":\"" PW_ERROR_HOST "runtime\",\"status\":400,\"title\":\"no\","
          "\"instance\":\"/do/1/b/metadata/pawl/compensate\"}" },
        { PW_EVENT_CANCEL, "cancelled", "" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        bench b;
        start(&b, ON("faulted, cancelled") "do:\n  - a: " DOES("a") "\n  - b: " DOES(
                      "b") "\n  - c: " DOES("c") "\n");
        result(&b, 1, "{\"id\":1}");
        result(&b, 2, "{\"id\":2}");
        result(&b, 3, "{\"id\":3}");
        compensate(&b);
        result(&b, 5, "null");
        failed(&b, 6);
        EXPECT_STATUS(b.f, "faulted"); /* the trigger is not for its own steps */
        command(&b, cases[i].kind);
        EXPECT_STATUS(b.f, cases[i].status);
        EXPECT(!pw_state_has_incident(b.f.state));
        EXPECT_TEXT(rows(&b), "1 /do/0/a registered {\"of\":1}; 2 /do/1/b registered {\"of\":2}; 3 "
                              "/do/2/c done {\"of\":3}");
        compensate(&b);
        EXPECT_STATUS(b.f, "compensating");
        EXPECT_TEXT(work(&b), "un-b 9 {\"of\":2}");
        result(&b, 9, "null");
        result(&b, 10, "null");
        EXPECT_STATUS(b.f, "compensated");
        EXPECT_TEXT(fixture_text(&b.f, b.f.t.error), cases[i].error);
        stop(&b);
    }
}

/* ------------------------------------------------------------------ children */

#define RUNS "{ run: { workflow: { namespace: test, name: child, version: '1.0.0' } } }"

static void child_ends(bench *b, uint64_t visit, pw_str id, const char *output, const char *error)
{
    pw_event event = {
        .kind = PW_EVENT_CHILD_ENDED, .now_ms = b->f.now_ms, .seed = 7, .visit = visit, .key = id
    };
    pawl_error err;
    if (output)
        EXPECT_OK(pw_json_parse(&event.payload, pw_str_of(output), NULL, &b->f.arena, &err), err);
    if (error)
        EXPECT_OK(pw_json_parse(&event.error, pw_str_of(error), NULL, &b->f.arena, &err), err);
    fixture_event(&b->f, &event);
    keep(b);
}

TEST(compensate, a_child_undoes_what_it_has_done_itself)
{
    bench b;
    start(&b, ON("") "do:\n  - a: " DOES("a") "\n  - r: " RUNS "\n  - b: { call: do-b }\n");
    result(&b, 1, "{\"id\":1}");
    pw_str id = pw_arena_str(&b.f.arena, b.f.t.bookmarks[0].key);
    child_ends(&b, 2, id, "{}", NULL);
    EXPECT_TEXT(rows(&b), "1 /do/0/a registered {\"of\":1}; 2 /do/1/r registered");
    EXPECT(pw_str_eq(b.rows[1].child, id) && pw_str_eq(b.rows[1].key, id));
    compensate(&b);
    EXPECT_STATUS(b.f, "compensating");
    EXPECT_INT(b.f.t.message_count, 1);
    EXPECT(pw_str_eq(b.f.t.messages[0].target, id));
    EXPECT_STR(b.f.t.messages[0].kind, "compensate");
    EXPECT_STR(b.f.t.messages[0].dedupe_key, "compensate-i1-5");
    EXPECT_STR(b.f.t.messages[0].payload,
               "{\"parent\":\"i1\",\"visit\":5,\"reason\":\"its parent is compensated\"}");
    EXPECT_INT(b.f.t.bookmarks[0].kind, PW_BOOKMARK_CHILD);
    child_ends(&b, 5, id, "{\"done\":3}", NULL);
    EXPECT_TEXT(work(&b), "un-a 6 {\"of\":1}");
    EXPECT_TEXT(rows(&b), "1 /do/0/a running {\"of\":1}; 2 /do/1/r done");
    stop(&b);
}

TEST(compensate, a_child_that_could_not_be_undone_is_an_incident_of_its_parent)
{
    bench b;
    start(&b, ON("") "do:\n  - r: " RUNS "\n  - b: { call: do-b }\n");
    pw_str id = pw_arena_str(&b.f.arena, b.f.t.bookmarks[0].key);
    child_ends(&b, 1, id, "{}", NULL);
    compensate(&b);
    child_ends(&b, 4, id, NULL, "{\"type\":\"x\",\"status\":500,\"title\":\"given up\"}");
    EXPECT_STATUS(b.f, "faulted");
    EXPECT_STR(b.f.t.fault->task, "/do/0/r");
    command(&b, PW_EVENT_RETRY);
    EXPECT_STR(b.f.t.messages[0].dedupe_key, "compensate-i1-5");
    EXPECT(pw_str_eq(b.f.t.messages[0].target, id));
    stop(&b);
}

TEST(compensate, a_child_that_failed_has_done_something_too)
{
    bench b;
    start(&b, ON("") "do:\n  - t: { try: [ { r: " RUNS " } ], catch: {} }\n");
    pw_str id = pw_arena_str(&b.f.arena, b.f.t.bookmarks[0].key);
    child_ends(&b, 2, id, NULL, "{\"type\":\"x\",\"status\":500,\"title\":\"no\"}");
    EXPECT_STATUS(b.f, "completed");
    EXPECT_TEXT(rows(&b), "1 /do/0/t/try/0/r registered");
    stop(&b);
}

TEST(compensate, a_child_that_still_runs_is_not_cancelled_but_compensated)
{
    bench b;
    start(&b, ON("") "do:\n  - r: " RUNS "\n");
    pw_str id = pw_arena_str(&b.f.arena, b.f.t.bookmarks[0].key);
    command(&b, PW_EVENT_COMPENSATE);
    EXPECT_INT(b.f.t.message_count, 0);
    EXPECT_TEXT(rows(&b), "1 /do/0/r registered");
    plans(&b);
    EXPECT_STR(b.f.t.messages[0].kind, "compensate");
    child_ends(&b, 1, id, "{}", NULL); /* it had ended meanwhile: nobody waits for that any more */
    EXPECT_TEXT(fixture_entries(&b.f), "child.late");
    child_ends(&b, 3, id, "{}", NULL);
    EXPECT_STATUS(b.f, "compensated");
    stop(&b);
}

TEST(compensate, a_child_of_who_is_cancelled_can_be_undone_later)
{
    bench b;
    start(&b, ON("") "do:\n  - r: " RUNS "\n");
    command(&b, PW_EVENT_CANCEL);
    EXPECT_STR(b.f.t.messages[0].kind, "cancel");
    EXPECT_TEXT(rows(&b), "1 /do/0/r registered");
    compensate(&b);
    EXPECT_STR(b.f.t.messages[0].kind, "compensate");
    stop(&b);
}

/* What this instance, as a child, is asked by its parent. */
static void parent_asks(bench *b, uint64_t visit)
{
    pw_event event = { .kind = PW_EVENT_COMPENSATE,
                       .now_ms = b->f.now_ms,
                       .seed = 7,
                       .parent = PW_LIT("p1"),
                       .parent_visit = visit,
                       .reason = PW_LIT("its parent is compensated") };
    fixture_event(&b->f, &event);
    EXPECT(b->f.t.changed);
    keep(b);
}

static const char *told(bench *b)
{
    EXPECT_INT(b->f.t.message_count, 1);
    EXPECT_STR(b->f.t.messages[0].target, "p1");
    EXPECT_STR(b->f.t.messages[0].kind, "child-ended");
    return fixture_text(&b->f, b->f.t.messages[0].payload);
}

#define ANSWER(visit, done)                                                                        \
    "{\"visit\":" visit ",\"child\":\"i1\",\"output\":{\"done\":" done                             \
    ",\"failed\":0,\"skipped\":0}}"

TEST(compensate, who_is_asked_by_its_parent_answers_at_the_end)
{
    bench b;
    start(&b, ON("") "do:\n  - a: " DOES("a") "\n");
    result(&b, 1, "{\"id\":1}");
    EXPECT_STATUS(b.f, "completed");
    parent_asks(&b, 9);
    EXPECT_STATUS(b.f, "compensating");
    EXPECT_TEXT(fixture_member(&b.f, fixture_entry_text(&b.f, 0), "trigger"), "parent");
    plans(&b);
    failed(&b, 3);
    EXPECT_STATUS(b.f, "faulted");
    EXPECT_INT(b.f.t.message_count, 0); /* it is not over */
    command(&b, PW_EVENT_RETRY);
    result(&b, 4, "null");
    EXPECT_STATUS(b.f, "compensated");
    EXPECT_TEXT(told(&b), ANSWER("9", "1"));
    parent_asks(&b, 10);
    EXPECT_STATUS(b.f, "compensated");
    EXPECT_TEXT(told(&b), ANSWER("10", "0"));
    stop(&b);
}

TEST(compensate, a_parent_that_asks_what_is_being_compensated_waits_for_that)
{
    bench b;
    start(&b, ON("") "do:\n  - a: " DOES("a") "\n");
    result(&b, 1, "{\"id\":1}");
    compensate(&b);
    parent_asks(&b, 9);
    EXPECT_TEXT(fixture_entries(&b.f), "compensation.awaited");
    result(&b, 3, "null");
    EXPECT_STATUS(b.f, "compensated");
    EXPECT_TEXT(told(&b), ANSWER("9", "1"));
    stop(&b);
}

TEST(compensate, a_parent_that_asks_is_told_that_it_was_given_up)
{
    bench b;
    start(&b, ON("") "do:\n  - a: " DOES("a") "\n");
    result(&b, 1, "{\"id\":1}");
    parent_asks(&b, 9);
    plans(&b);
    failed(&b, 3);
    command(&b, PW_EVENT_FAIL);
    EXPECT_STATUS(b.f, "faulted");
    EXPECT_CONTAINS(told(&b), "\"error\":{");
    EXPECT_STR(b.f.t.messages[0].dedupe_key,
               "child-i1-compensated-9"); /* its first end has told under another */
    stop(&b);
}

TEST(compensate, a_child_that_compensates_itself_tells_its_parent_at_the_end)
{
    static const struct {
        pw_event_kind kind;
        const char *status, *error;
    } cases[] = {
        { PW_EVENT_RETRY, "compensating", NULL },
        { PW_EVENT_SKIP, "compensated", "\"title\":\"no\",\"instance\":\"/do/1/b\"" },
        { PW_EVENT_FAIL, "faulted",
          "\"title\":\"no\",\"instance\":\"/do/0/a/metadata/pawl/compensate\"" },
        { PW_EVENT_CANCEL, "cancelled", "the child workflow was cancelled" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        bench b;
        memset(&b, 0, sizeof b);
        fixture_open(&b.f,
                     ON("faulted, cancelled") "do:\n  - a: " DOES("a") "\n  - b: { call: do-b }\n");
        pw_event event = { .kind = PW_EVENT_START,
                           .now_ms = T0,
                           .seed = 7,
                           .payload = pw_null(),
                           .parent = PW_LIT("p1"),
                           .parent_visit = 4,
                           .depth = 1 };
        fixture_event(&b.f, &event);
        keep(&b);
        result(&b, 1, "{\"id\":1}");
        failed(&b, 2);
        EXPECT_INT(b.f.t.message_count, 0);
        plans(&b);
        failed(&b, 4);
        EXPECT_STATUS(b.f, "faulted");
        EXPECT_INT(b.f.t.message_count, 0);
        command(&b, cases[i].kind);
        EXPECT_STATUS(b.f, cases[i].status);
        if (cases[i].error)
            EXPECT_CONTAINS(told(&b), cases[i].error);
        else
            EXPECT_INT(b.f.t.message_count, 0);
        stop(&b);
    }
}

TEST(compensate, a_child_with_nothing_to_undo_answers_at_once_and_stops)
{
    bench b;
    start(&b, ON("") "do:\n  - w: { wait: PT1H }\n  - a: " DOES("a") "\n");
    parent_asks(&b, 9);
    EXPECT_STATUS(b.f, "cancelled");
    EXPECT_TEXT(told(&b), ANSWER("9", "0"));
    stop(&b);
    start(&b, HEAD " }\ndo:\n  - n: { set: { x: 1 } }\n");
    EXPECT_STATUS(b.f, "completed");
    parent_asks(&b, 9);
    EXPECT_STATUS(b.f, "completed");
    EXPECT_TEXT(told(&b), ANSWER("9", "0"));
    stop(&b);
}

TEST(compensate, a_parent_that_was_not_asked_gets_an_error)
{
    bench b;
    memset(&b, 0, sizeof b);
    fixture_open(&b.f, ON("") "do:\n  - a: " DOES("a") "\n  - b: { call: do-b }\n");
    pw_event event = { .kind = PW_EVENT_START,
                       .now_ms = T0,
                       .seed = 7,
                       .payload = pw_null(),
                       .parent = PW_LIT("p1"),
                       .parent_visit = 4,
                       .depth = 1 };
    fixture_event(&b.f, &event);
    keep(&b);
    result(&b, 1, "{\"id\":1}");
    compensate(&b);
    result(&b, 4, "null");
    EXPECT_STATUS(b.f, "compensated");
    const char *payload = told(&b);
    EXPECT_CONTAINS(payload, "\"visit\":4");
    EXPECT_CONTAINS(payload, "the instance was compensated");
    stop(&b);
}

/* ------------------------------------------------------------------ stored */

TEST(compensate, a_plan_in_a_branch_of_a_wide_fork_goes_on_while_the_others_rest)
{
    bench b;
    start(&b, HEAD " }\ndo:\n  - a: " DOES(
                  "a") "\n  - wide:\n      fork:\n        branches:\n"
                       "          - b0: { call: compensate }\n          - b1: { call: x }\n        "
                       "  - b2: { call: x }\n          - b3: { call: x }\n"
                       "          - b4: { call: x }\n          - b5: { call: x }\n          - b6: "
                       "{ call: x }\n          - b7: { call: x }\n");
    result(&b, 1, "{\"id\":1}");
    EXPECT_INT(b.f.t.branch_count, 8);
    EXPECT(plan(&b));
    EXPECT_INT(b.f.t.branch_count, 1);
    EXPECT_TEXT(work(&b), "un-a 11 {\"of\":1}");
    command(&b, PW_EVENT_SUSPEND);
    result(&b, 11, "null");
    EXPECT_TEXT(rows(&b), "1 /do/0/a running {\"of\":1}");
    command(&b, PW_EVENT_CONTINUE);
    EXPECT_TEXT(rows(&b), "1 /do/0/a done {\"of\":1}");
    for (uint64_t visit = 4; visit < 11; visit++)
        result(&b, visit, "null");
    EXPECT_STATUS(b.f, "completed");
    EXPECT_OUTPUT(b.f,
                  "[{\"done\":1,\"failed\":0,\"skipped\":0},null,null,null,null,null,null,null]");
    stop(&b);
}

static pawl_code parse_changed(bench *b, const char *what, const char *by)
{
    const char *text = fixture_text(&b->f, b->f.t.state_text), *at = strstr(text, what);
    pw_state *state;
    pawl_error err;
    if (!at)
        fail_msg("no %s in %s", what, text);
    pw_str changed =
        pw_arena_printf(&b->f.arena, "%.*s%s%s", (int)(at - text), text, by, at + strlen(what));
    return pw_state_parse(&state, changed, b->f.program, NULL, &b->f.arena, &err);
}

TEST(compensate, a_stored_plan_that_breaks_a_promise_is_corrupt)
{
    static const struct {
        const char *what, *by;
        pawl_code code;
    } cases[] = {
        { "\"co\":1", "\"co\":1", PAWL_OK },
        { "\"co\":1,", "", PAWL_CORRUPT }, /* the whole is undone, and it does not say so */
        { "\"s\":\"compensating\"", "\"s\":\"waiting\"", PAWL_CORRUPT },
        { "\"s\":\"compensating\"", "\"s\":\"suspended\"", PAWL_OK },
        { "\"un\":2,", "\"un\":-1,", PAWL_CORRUPT },
        { ",\"en\":2}", "}", PAWL_CORRUPT }, /* a step without its number */
        { ",\"en\":2}", ",\"en\":0}", PAWL_CORRUPT },
        { ",\"en\":1,", ",", PAWL_CORRUPT },     /* nobody knows how far it was read */
        { "\"p\":12", "\"p\":5", PAWL_CORRUPT }, /* work without arguments */
        { "\"p\":12", "\"p\":13", PAWL_CORRUPT },
        { "\"i\":1,", "\"i\":2,", PAWL_CORRUPT }, /* read to the end, and once more */
        { "\"a\":{}", "\"a\":1", PAWL_CORRUPT },
    };
    bench b;
    start(&b, ON("") "do:\n  - a: " DOES("a") "\n  - b: " DOES("b") "\n");
    result(&b, 1, "{\"id\":1}");
    result(&b, 2, "{\"id\":2}");
    compensate(&b);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl_code code = parse_changed(&b, cases[i].what, cases[i].by);
        if (code != cases[i].code)
            fail_msg("%s for %s: %s", cases[i].by, cases[i].what, pawl_code_name(code));
    }
    stop(&b);
    start(&b, ON("") "do:\n  - w: { wait: PT1H }\n  - a: " DOES("a") "\n");
    EXPECT_INT(parse_changed(&b, "\"s\":\"waiting\"", "\"s\":\"compensating\""), PAWL_CORRUPT);
    EXPECT_INT(parse_changed(&b, "\"v\":1,\"t\":", "\"v\":1,\"co\":1,\"t\":"), PAWL_CORRUPT);
    EXPECT_INT(parse_changed(&b, "\"p\":4", "\"p\":12"), PAWL_CORRUPT); /* a step of no plan */
    stop(&b);
}

/* One step, with each of its allocations failing in turn. */
static void starve(bench *b, const pw_event *event)
{
    const pw_str before = pw_arena_str(&b->f.arena, b->f.t.state_text);
    pawl_code code = PAWL_NO_MEMORY;
    for (uint64_t n = 1; code != PAWL_OK; n++) {
        pw_arena arena;
        pw_transition t;
        pawl_error err;
        pw_arena_init(&arena, 0);
        pw_alloc_fail_after(n);
        code = pw_core_step(&t, b->f.program, b->f.state, &b->f.identity, event, &b->f.settings,
                            b->f.machine, &arena, &err);
        pw_alloc_fail_after(0);
        EXPECT(code == PAWL_NO_MEMORY || (code == PAWL_OK && n > 1 && t.changed));
        pw_arena_done(&arena);
        EXPECT(n < 10000);
    }
    EXPECT(pw_str_eq(before, b->f.t.state_text));
}

TEST(compensate, running_out_of_memory_at_any_allocation_leaves_the_old_state)
{
    bench b;
    start(&b, ON("") "do:\n  - a: " DOES("a") "\n  - b: " DOES("b") "\n  - c: { call: do-c }\n");
    result(&b, 1, "{\"id\":1}");
    pw_event done = { .kind = PW_EVENT_ACTIVITY_RESULT,
                      .now_ms = b.f.now_ms,
                      .seed = 7,
                      .visit = 2,
                      .attempt = 1,
                      .payload = pw_null() };
    starve(&b, &done);
    pw_event all = { .kind = PW_EVENT_COMPENSATE, .now_ms = b.f.now_ms, .seed = 7 };
    starve(&b, &all);
    command(&b, PW_EVENT_COMPENSATE);
    pw_event page = { .kind = PW_EVENT_PLAN,
                      .now_ms = b.f.now_ms,
                      .seed = 7,
                      .visit = 3,
                      .number = 3,
                      .plan = b.rows,
                      .plan_count = 1,
                      .plan_ends = true };
    starve(&b, &page);
    EXPECT_STATUS(b.f, "compensating");
    stop(&b);
}

/* ------------------------------------------------------------------ status */

TEST(compensate, an_instance_that_is_compensated_ends_so_or_faults)
{
    static const pw_status ends[] = { PW_COMPLETED, PW_FAULTED, PW_CANCELLED, PW_COMPENSATED };
    static const struct {
        pw_status from;
        bool to[4]; /* as in ends */
    } cases[] = {
        { PW_COMPENSATING, { true, true, false, true } }, /* completed: by a rewind */
        { PW_SUSPENDED, { true, true, true, true } },
        { PW_FAULTED, { true, true, true, true } },
        { PW_PENDING, { true, true, true, false } }, /* nothing was done yet */
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        for (size_t k = 0; k < PW_LENGTH(ends); k++)
            EXPECT_INT(pw_status_may_move(cases[i].from, ends[k]), cases[i].to[k]);
    EXPECT(pw_status_may_move(PW_COMPLETED, PW_COMPENSATING) &&
           pw_status_may_move(PW_CANCELLED, PW_COMPENSATING));
    EXPECT(!pw_status_may_move(PW_COMPLETED, PW_PENDING) &&
           !pw_status_may_move(PW_COMPENSATING, PW_PENDING));
}

TEST_MAIN()
