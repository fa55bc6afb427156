/* One step at a time: what each kind of task decides, and in which order. */
#include "fixture.h"

TEST(core, set_replaces_the_data_and_the_workflow_completes_in_one_step)
{
    fixture f;
    fixture_open(&f, "  - a: { set: { x: '${ .n + 1 }', text: plain } }\n");
    fixture_start(&f, "{\"n\":1}");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"x\":2,\"text\":\"plain\"}");
    EXPECT_TEXT(fixture_entries(&f),
                "instance.started; task.completed /do/0/a; instance.completed");
    EXPECT_INT(f.t.event_count, 2);
    EXPECT_STR(f.t.events[0].id, "i1-1-1");
    EXPECT_STR(f.t.events[0].type, "io.serverlessworkflow.workflow.started.v1");
    EXPECT_STR(f.t.events[1].type, "io.serverlessworkflow.workflow.completed.v1");
    EXPECT(f.t.wake_at == PW_WAKE_NEVER);
    fixture_close(&f);
}

TEST(core, data_flows_through_from_as_and_export_in_the_normative_order)
{
    fixture f;
    fixture_open(
        &f, "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\n"
            "input: { from: .order }\n"
            "output: { as: '${ { result: ., context: $context } }' }\n"
            "do:\n"
            "  - a:\n"
            "      input: { from: .lines }\n"
            "      set: '${ { n: length, was: $task.input.id, input: $input } }'\n"
            "      output: { as: '${ . + { twice: (.n * 2) } }' }\n"
            "      export: { as: '${ { from: $task.name, twice: .twice, out: $output.n } }' }\n"
            "  - b: { set: '${ { n: .n, seen: $context.twice, id: $workflow.id } }' }\n");
    fixture_start(&f, "{\"order\":{\"id\":\"o1\",\"lines\":[1,2,3]}}");
    EXPECT_OUTPUT(f, "{\"result\":{\"n\":3,\"seen\":6,\"id\":\"i1\"},\"context\":{\"from\":\"a\","
                     "\"twice\":6,\"out\":3}}");
    fixture_close(&f);
}

TEST(core, a_false_if_skips_and_its_then_is_not_followed)
{
    fixture f;
    fixture_open(&f, "  - a: { if: .go, set: { x: 1 }, then: end }\n"
                     "  - b: { set: '${ . + {b: true} }' }\n");
    fixture_start(&f, "{\"go\":false}");
    EXPECT_OUTPUT(f, "{\"go\":false,\"b\":true}");
    EXPECT_TEXT(
        fixture_entries(&f),
        "instance.started; task.skipped /do/0/a; task.completed /do/1/b; instance.completed");
    fixture_close(&f);
}

TEST(core, switch_takes_the_first_case_that_is_true_else_the_default)
{
    static const struct {
        const char *input, *output;
    } rows[] = {
        { "{\"k\":\"a\"}", "{\"at\":\"one\"}" },
        { "{\"k\":\"b\"}", "{\"at\":\"two\"}" },
        { "{\"k\":\"z\"}", "{\"at\":\"other\"}" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        fixture_open(&f, "  - pick:\n"
                         "      switch:\n"
                         "        - otherwise: { then: other }\n"
                         "        - first: { when: '.k == \"a\"', then: one }\n"
                         "        - second: { when: '.k == \"b\"', then: two }\n"
                         "  - one: { set: { at: one }, then: end }\n"
                         "  - two: { set: { at: two }, then: end }\n"
                         "  - other: { set: { at: other } }\n");
        fixture_start(&f, rows[i].input);
        EXPECT_OUTPUT(f, rows[i].output);
        fixture_close(&f);
    }
}

TEST(core, then_exit_leaves_the_list_and_end_leaves_the_workflow_with_each_scopes_output)
{
    fixture f;
    fixture_open(&f, "  - outer:\n"
                     "      do:\n"
                     "        - a: { set: { a: 1 }, then: exit }\n"
                     "        - never: { set: { never: true } }\n"
                     "  - next:\n"
                     "      do:\n"
                     "        - b: { set: '${ . + { b: 2 } }', then: end }\n"
                     "      output: { as: '${ . + { scope: true } }' }\n"
                     "      then: last\n"
                     "  - last: { set: { last: true } }\n");
    fixture_start(&f, "null");
    EXPECT_OUTPUT(f, "{\"a\":1,\"b\":2,\"scope\":true}");
    fixture_close(&f);
}

TEST(core, for_hands_each_output_to_the_next_item_with_each_and_at_bound)
{
    fixture f;
    fixture_open(
        &f,
        "  - sum:\n"
        "      for: { each: n, in: .numbers, at: i }\n"
        "      while: .total < 100\n"
        "      do:\n"
        "        - add: { set: '${ { numbers: .numbers, total: (.total + $n), last: $i } }' }\n");
    fixture_start(&f, "{\"numbers\":[5,60,70,80],\"total\":0}");
    EXPECT_OUTPUT(f, "{\"numbers\":[5,60,70,80],\"total\":135,\"last\":2}");
    fixture_close(&f);
}

TEST(core, for_over_null_or_nothing_passes_its_input_on)
{
    fixture f;
    fixture_open(&f, "  - a: { for: { in: .none }, do: [ { b: { set: { x: 1 } } } ] }\n");
    fixture_start(&f, "{\"k\":1}");
    EXPECT_OUTPUT(f, "{\"k\":1}");
    fixture_close(&f);
}

TEST(core, for_over_something_else_is_an_expression_error)
{
    fixture f;
    fixture_open(&f, "  - a: { for: { in: .x }, do: [ { b: { set: { x: 1 } } } ] }\n");
    fixture_start(&f, "{\"x\":3}");
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_text(&f, f.t.error),
                "{\"type\":\"https://open-workflow-specification.org/spec/1.0.0/errors/"
                "expression\",\"status\":400,"
                "\"title\":\"not a list to go through\",\"detail\":\"for.in must give an array, "
                "not number\","
                "\"instance\":\"/do/0/a\"}");
    fixture_close(&f);
}

TEST(core, a_goto_backwards_loops_and_a_step_is_cut_at_its_limit)
{
    fixture f;
    fixture_open(&f, "  - count: { set: '${ { n: (.n + 1) } }' }\n"
                     "  - again: { switch: [ { more: { when: .n < 25, then: count } } ] }\n");
    f.settings.tasks_per_step = 10;
    fixture_start(&f, "{\"n\":0}");
    EXPECT(f.t.cut);
    EXPECT_STATUS(f, "running");
    EXPECT_INT(f.t.wake_at, 0);
    unsigned steps = 1;
    while (f.t.cut) {
        fixture_reload(&f);
        EXPECT(pw_state_cut(f.state));
        fixture_drive(&f);
        steps++;
    }
    EXPECT_STATUS(f, "completed");
    EXPECT_INT(steps, 5); /* 50 tasks, 10 a step */
    EXPECT_OUTPUT(f, "{\"n\":25}");
    fixture_close(&f);
}

TEST(core, wait_is_a_timer_with_an_absolute_time_computed_once)
{
    fixture f;
    fixture_open(&f, "  - nap: { wait: PT1M }\n  - a: { set: '${ . + {awake: true} }' }\n");
    fixture_start(&f, "{\"k\":1}");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.wake_at, T0 + 60000);
    EXPECT_INT(f.t.timer_at, T0 + 60000);
    EXPECT_INT(f.t.bookmark_count, 1);
    EXPECT_INT(f.t.bookmarks[0].due_at, T0 + 60000);
    EXPECT_STR(f.t.bookmarks[0].key, "nap-1");
    fixture_reload(&f);
    fixture_timer(&f, T0 + 59999);
    EXPECT(!f.t.changed);
    fixture_timer(&f, T0 + 60000);
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"k\":1,\"awake\":true}");
    EXPECT_INT(f.t.bookmark_end_count, 1);
    EXPECT(f.t.bookmark_ends[0].consumed);
    fixture_close(&f);
}

TEST(core, emit_puts_a_cloud_event_into_the_outbox_and_is_its_output)
{
    fixture f;
    fixture_open(&f, "  - tell: { emit: { event: { with: { type: com.example.done, data: { n: '${ "
                     ".n }' } } } } }\n");
    fixture_start(&f, "{\"n\":3}");
    EXPECT_INT(f.t.event_count, 3);
    EXPECT_STR(f.t.events[1].id, "i1-1-2");
    EXPECT_OUTPUT(
        f,
        "{\"specversion\":\"1.0\",\"id\":\"i1-1-2\",\"source\":\"/test/flow/1.0.0\","
        "\"time\":\"2026-09-21T14:13:20.000Z\",\"type\":\"com.example.done\",\"data\":{\"n\":3}}");
    fixture_close(&f);
}

TEST(core, fork_joins_its_outputs_in_the_order_of_declaration)
{
    fixture f;
    fixture_open(&f, "  - both:\n"
                     "      fork:\n"
                     "        branches:\n"
                     "          - left: { call: slow, with: { side: left } }\n"
                     "          - middle: { set: { side: middle } }\n"
                     "          - right: { call: slow, with: { side: right } }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.work_count, 2);
    EXPECT_INT(f.t.work[0].visit, 2);
    EXPECT_INT(f.t.work[1].visit, 4);
    fixture_reload(&f);
    fixture_result(&f, 4, 1, "\"R\"");
    EXPECT_STATUS(f, "waiting");
    fixture_reload(&f);
    fixture_result(&f, 2, 1, "\"L\"");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "[\"L\",{\"side\":\"middle\"},\"R\"]");
    fixture_close(&f);
}

TEST(core, an_error_in_a_branch_cancels_the_others_when_it_is_caught)
{
    fixture f;
    fixture_open(
        &f, "  - guarded:\n"
            "      try:\n"
            "        - both:\n"
            "            fork:\n"
            "              branches:\n"
            "                - a: { call: work }\n"
            "                - b: { call: userTask, with: { title: hello } }\n"
            "      catch: { as: e, do: [ { mend: { set: '${ { caught: $e.status } }' } } ] }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.bookmark_count, 1);
    EXPECT_STR(f.t.bookmarks[0].key, "b-4");
    fixture_reload(&f);
    fixture_failed(&f, 3, 1, "{\"status\":418,\"title\":\"teapot\"}");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"caught\":418}");
    EXPECT_INT(f.t.bookmark_end_count, 1);
    EXPECT(!f.t.bookmark_ends[0].consumed);
    EXPECT_STR(f.t.bookmark_ends[0].key, "b-4");
    EXPECT_TEXT(
        fixture_entries(&f),
        "task.faulted /do/0/guarded/try/0/both/fork/branches/0/a; task.faulted "
        "/do/0/guarded/try/0/both; "
        "task.cancelled /do/0/guarded/try/0/both/fork/branches/1/b; task.caught /do/0/guarded; "
        "task.completed /do/0/guarded/catch/do/0/mend; task.completed /do/0/guarded; "
        "instance.completed");
    fixture_close(&f);
}

TEST(core, what_is_begun_and_let_go_in_one_step_is_never_asked_for)
{
    fixture f;
    fixture_open(
        &f, "  - guarded:\n"
            "      try:\n"
            "        - three:\n"
            "            fork:\n"
            "              branches:\n"
            "                - a: { call: http, with: { method: get, endpoint: http://x } }\n"
            "                - b: { call: work }\n"
            "                - c: { raise: { error: { type: t, status: 418 } } }\n"
            "      catch: { as: e, do: [ { mend: { call: work } } ] }\n");
    fixture_start(&f, "null");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.call_count, 0);
    EXPECT_INT(f.t.outcome_count, 0);
    EXPECT_INT(f.t.work_count, 1);
    EXPECT_INT(f.t.work[0].visit, 6);
    EXPECT(!f.t.work[0].cancel);
    fixture_close(&f);
}

TEST(core, a_try_whose_attempt_times_out_without_being_caught_has_its_entry)
{
    fixture f;
    fixture_open(&f, "  - inner:\n"
                     "      try: [ { long: { wait: PT10S } } ]\n"
                     "      catch:\n"
                     "        errors: { with: { status: 503 } }\n"
                     "        retry: { limit: { attempt: { count: 1, duration: PT1S } } }\n");
    fixture_start(&f, "null");
    fixture_timer(&f, f.now_ms + 1000);
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_entries(&f), "task.faulted /do/0/inner; "
                                     "task.cancelled /do/0/inner/try/0/long; instance.faulted");
    fixture_close(&f);
}

TEST(core, a_step_that_was_cut_goes_on_after_a_suspension)
{
    fixture f;
    fixture_open(&f, "  - a: { set: { n: 1 } }\n"
                     "  - b: { set: { n: 2 } }\n");
    f.settings.tasks_per_step = 1;
    fixture_start(&f, "null");
    EXPECT(f.t.cut);
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    EXPECT(!f.t.cut);
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"n\":2}");
    fixture_close(&f);
}

TEST(core, commands_are_idempotent_and_refused_after_the_end)
{
    fixture f;
    fixture_open(&f, "  - ask: { call: userTask, with: { key: approve } }\n");
    fixture_start(&f, "null");
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT(!f.t.changed);
    EXPECT_INT(f.t.code, PAWL_OK);
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "holiday");
    EXPECT_STATUS(f, "suspended");
    EXPECT(f.t.wake_at == PW_WAKE_NEVER);
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_SUSPEND, "bob", "");
    EXPECT(!f.t.changed);
    EXPECT_INT(f.t.code, PAWL_OK);
    fixture_command(&f, PW_EVENT_CANCEL, "bob", "no more");
    EXPECT_STATUS(f, "cancelled");
    EXPECT_INT(f.t.bookmark_end_count, 1);
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_CANCEL, "bob", "");
    EXPECT(!f.t.changed);
    EXPECT_INT(f.t.code, PAWL_OK);
    fixture_command(&f, PW_EVENT_SUSPEND, "bob", "");
    EXPECT(!f.t.changed);
    EXPECT_INT(f.t.code, PAWL_STATE);
    fixture_resume(&f, "approve", "{}", "ann");
    EXPECT(!f.t.changed);
    EXPECT_INT(f.t.code, PAWL_NOT_FOUND);
    fixture_close(&f);
}

TEST(core, a_result_for_a_suspended_instance_is_kept_until_it_goes_on)
{
    fixture f;
    fixture_open(&f, "  - a: { call: work }\n  - b: { set: '${ { got: . } }' }\n");
    fixture_start(&f, "null");
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    fixture_reload(&f);
    fixture_result(&f, 1, 1, "{\"n\":1}");
    EXPECT_STATUS(f, "suspended");
    EXPECT_TEXT(fixture_entries(&f), "result.kept /do/0/a");
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"got\":{\"n\":1}}");
    fixture_close(&f);
}

TEST(core, a_person_s_answer_is_the_output_with_who_and_when)
{
    fixture f;
    fixture_open(
        &f, "  - ask: { call: userTask, with: { assignedTo: ann, title: Approve, due: PT2H } }\n");
    fixture_start(&f, "null");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.wake_at, T0 + 7200000);
    EXPECT_STR(f.t.bookmarks[0].key, "ask-1");
    EXPECT_STR(f.t.bookmarks[0].assigned_to, "ann");
    EXPECT_INT(f.t.bookmarks[0].due_at, T0 + 7200000);
    fixture_resume(&f, "wrong", "{}", "ann");
    EXPECT_INT(f.t.code, PAWL_NOT_FOUND);
    fixture_resume(&f, "ask-1", "{\"ok\":true}", "ann");
    EXPECT_OUTPUT(
        f, "{\"ok\":true,\"completedBy\":\"ann\",\"completedAt\":\"2026-09-21T14:13:20.000Z\"}");
    fixture_close(&f);
}

TEST(core, a_lost_attempt_is_committed_and_handed_out_again_until_it_was_lost_too_often)
{
    fixture f;
    fixture_open(&f, "  - a: { call: work, with: { n: 1 } }\n");
    fixture_retries(&f, 3);
    fixture_start(&f, "null");
    const char *key = fixture_text(&f, f.t.work[0].key);
    for (uint32_t attempt = 1; attempt <= 3; attempt++) {
        fixture_lost(&f, 1, attempt);
        EXPECT_INT(f.t.work_count, 1);
        EXPECT_INT(f.t.work[0].attempt, attempt + 1);
        EXPECT_STR(f.t.work[0].key, key);
        fixture_reload(&f);
    }
    fixture_result(&f, 1, 3, "1"); /* an attempt of before: nothing but a line in the log */
    EXPECT_TEXT(fixture_entries(&f), "activity.late");
    fixture_lost(&f, 1, 4);
    EXPECT_STATUS(f, "faulted");
    EXPECT(f.t.fault != NULL);
    EXPECT_STR(f.t.fault->kind, "activity-fault");
    fixture_close(&f);
}

TEST(core, the_same_arguments_give_the_same_transition_byte_for_byte)
{
    const char *texts[2];
    fixture f[2];
    for (int i = 0; i < 2; i++) {
        fixture_open(&f[i],
                     "  - a: { call: http, with: { method: get, endpoint: 'http://x/{id}' } }\n");
        fixture_start(&f[i], "{\"id\":\"a b\",\"z\":1,\"y\":[1.50,2e3]}");
        texts[i] = fixture_text(
            &f[i],
            pw_arena_printf(&f[i].arena, "%.*s|%.*s|%.*s", (int)f[i].t.state_text.len,
                            f[i].t.state_text.ptr, (int)f[i].t.entries.len, f[i].t.entries.ptr,
                            (int)f[i].t.calls[0].key.len, f[i].t.calls[0].key.ptr));
    }
    EXPECT_TEXT(texts[0], texts[1]);
    EXPECT_CONTAINS(texts[0], "1.50");
    fixture_close(&f[0]);
    fixture_close(&f[1]);
}

TEST(core, the_old_state_is_untouched_by_a_step)
{
    fixture f;
    fixture_open(&f, "  - a: { call: work }\n  - b: { call: work }\n");
    fixture_start(&f, "{\"k\":[1,2]}");
    pw_state *before = f.state;
    pw_str text = pw_arena_str(&f.arena, f.t.state_text);
    fixture_result(&f, 1, 1, "{}");
    f.state = before;
    fixture_command(&f, PW_EVENT_SUSPEND, "x", "");
    f.state = before;
    fixture_command(&f, PW_EVENT_CONTINUE, "x", ""); /* unchanged */
    fixture_result(&f, 1, 1, "{\"again\":true}");
    EXPECT_STATUS(f, "waiting");
    pw_state *parsed;
    pawl_error err;
    EXPECT_OK(pw_state_parse(&parsed, text, f.program, NULL, &f.arena, &err), err);
    fixture_close(&f);
}

TEST(core, an_uncaught_error_faults_the_instance_with_a_fault_row)
{
    fixture f;
    fixture_open(&f, "  - bad: { set: '${ .x.y }' }\n");
    fixture_start(&f, "{\"x\":3}");
    EXPECT_STATUS(f, "faulted");
    EXPECT(f.t.fault != NULL);
    EXPECT_STR(f.t.fault->task, "/do/0/bad");
    EXPECT_STR(f.t.fault->kind, "activity-fault");
    EXPECT_STR(f.t.fault->class_, "argument");
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "detail"),
                "Cannot index number with string (\"y\")");
    fixture_reload(&f);
    fixture_close(&f);
}

TEST(core, what_runs_beside_a_fault_is_let_go_once_when_the_instance_is_cancelled)
{
    fixture f;
    fixture_open(&f, "  - both:\n"
                     "      fork:\n"
                     "        branches:\n"
                     "          - a: { call: work }\n"
                     "          - b: { call: userTask, with: { key: ask } }\n"
                     "          - c: { call: http, with: { method: get, endpoint: 'http://x/' } }\n"
                     "          - d: { wait: PT1H }\n");
    fixture_start(&f, "{\"k\":1}");
    fixture_failed(&f, 2, 1, "{\"status\":418}");
    EXPECT_STATUS(f, "faulted");
    EXPECT_INT(f.t.bookmark_end_count, 0);
    EXPECT_INT(f.t.outcome_count, 0);
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_CANCEL, "ann", "given up");
    EXPECT_STATUS(f, "cancelled");
    EXPECT_STR(f.t.resolution, "cancelled");
    EXPECT_INT(f.t.bookmark_end_count, 2);
    EXPECT_INT(f.t.outcome_count, 1);
    EXPECT_INT(f.t.outcomes[0].state, PW_CALL_ABANDONED);
    fixture_reload(&f);
    fixture_answer(&f, 4, 200, "text/plain", "too late");
    EXPECT_TEXT(fixture_entries(&f), "call.late");
    EXPECT_STATUS(f, "cancelled");
    EXPECT_STR(f.t.resolution, "");
    fixture_close(&f);
}

TEST(core, a_use_function_is_a_task_with_its_arguments_as_input)
{
    fixture f;
    fixture_open(&f, "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\n"
                     "use:\n"
                     "  functions:\n"
                     "    double: { set: '${ { twice: (.n * 2) } }' }\n"
                     "do:\n"
                     "  - a: { call: double, with: { n: '${ .x }' } }\n"
                     "  - b: { call: double, with: { n: '${ .twice }' } }\n");
    fixture_start(&f, "{\"x\":5}");
    EXPECT_OUTPUT(f, "{\"twice\":20}");
    fixture_close(&f);
}

TEST(core, functions_that_call_each_other_for_ever_end_in_an_error)
{
    fixture f;
    fixture_open(&f, "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\n"
                     "use:\n"
                     "  functions:\n"
                     "    f: { call: g }\n"
                     "    g: { call: f }\n"
                     "do:\n"
                     "  - a: { call: f }\n");
    fixture_start(&f, "null");
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "title"),
                "functions call each other too deep");
    fixture_reload(&f);
    fixture_close(&f);
}

TEST(core, what_it_waits_for_is_told)
{
    fixture f;
    fixture_open(&f, "  - ask: { call: userTask, with: { key: k1 }, timeout: { after: PT1H } }\n");
    fixture_start(&f, "null");
    pw_value waits = pw_state_waits(f.state, f.program, &f.arena);
    EXPECT_TEXT(
        fixture_text(&f, pw_json_text(&f.arena, waits, PW_JSON_COMPACT)),
        "[{\"kind\":\"user-action\",\"task\":\"/do/0/"
        "ask\",\"name\":\"ask\",\"visit\":1,\"key\":\"k1\","
        "\"since\":\"2026-09-21T14:13:20.000Z\",\"timeoutAt\":\"2026-09-21T15:13:20.000Z\"}]");
    EXPECT_INT(pw_state_timer(f.state, &f.settings), T0 + 3600000);
    fixture_close(&f);
}

TEST_MAIN()
