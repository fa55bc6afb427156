/* replay_test.c - what a step keeps of its event, and the states of an instance out of its log. Every fixture replays
 * its log when it is closed (fixture.c): what is here is what that does not show. */
#include "fixture.h"

static const char two[] = "  - a: { call: work, with: { n: 1 } }\n"
                          "  - b: { call: work, with: { n: 2 } }\n";

TEST(cause, an_ordinary_step_keeps_nothing_but_its_entries)
{
    fixture f;
    fixture_open(&f, two);
    fixture_start(&f, "{\"x\":[1]}");
    EXPECT_STR(f.t.cause, "");
    fixture_result(&f, 1, 1, "{\"y\":[2]}");
    EXPECT_STR(f.t.cause, "");
    fixture_result(&f, 2, 1, "[3]");
    EXPECT_STR(f.t.cause, "");
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

TEST(cause, a_result_that_is_shaped_stands_there_as_it_came)
{
    fixture f;
    fixture_open(&f, "  - a: { call: work, output: { as: .y } }\n");
    fixture_start(&f, "null");
    fixture_result(&f, 1, 1, "{\"y\":2,\"z\":3}");
    EXPECT_STR(f.t.cause, "{\"p\":{\"y\":2,\"z\":3}}");
    EXPECT_OUTPUT(f, "2");
    fixture_close(&f);
}

TEST(cause, a_large_one_is_a_payload)
{
    fixture f;
    fixture_open(&f, "  - a: { call: work, output: { as: .y } }\n");
    fixture_start(&f, "null");
    char *text = pw_arena_alloc(&f.arena, 20100);
    (void)snprintf(text, 20100, "{\"y\":2,\"z\":\"%020000d\"}", 0);
    fixture_result(&f, 1, 1, text);
    EXPECT_INT(f.t.payload_count, 1);
    EXPECT_INT(f.t.cause.len, strlen("{\"p\":{\"y\":2,\"z\":{\"$payload\":\"\"}}}") + 64);
    fixture_close(&f);
}

TEST(cause, an_attempt_that_failed_has_its_class)
{
    fixture f;
    fixture_open(&f, "  - a: { call: http, with: { method: get, endpoint: 'http://x/' } }\n");
    fixture_retries(&f, 1);
    fixture_start(&f, "null");
    fixture_answer(&f, 1, 503, "text/plain", "later");
    EXPECT_STR(f.t.cause, "{\"s\":503}");
    fixture_timer(&f, T0 + 5000);
    EXPECT_STR(f.t.cause, "");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ */

static pawl_code replay_all(fixture *f, const pw_core_settings *settings, pawl_error *err)
{
    const pw_payload_source source = fixture_source(f);
    pw_replay *replay;
    EXPECT_OK(pw_replay_new(&replay, f->program, &f->identity, settings, &source, f->machine, err), *err);
    pawl_code code = PAWL_OK;
    for (uint64_t i = 0; i < f->steps && code == PAWL_OK; i++)
        code = pw_replay_step(replay, &f->log[i], &f->arena, err);
    pw_replay_free(replay);
    return code;
}

TEST(replay, a_log_that_was_made_otherwise_is_refused_by_its_step)
{
    fixture f;
    pawl_error err;
    fixture_open(&f, two);
    fixture_start(&f, "null");
    fixture_result(&f, 1, 1, "1");
    fixture_result(&f, 2, 1, "2");
    EXPECT_OK(replay_all(&f, &f.settings, &err), err);
    pw_str entries = f.log[1].entries;
    f.log[1].entries = PW_LIT("[{\"type\":\"task.completed\",\"task\":\"/do/0/a\",\"visit\":1,\"output\":1}]");
    EXPECT_INT(replay_all(&f, &f.settings, &err), PAWL_STATE);
    EXPECT_TEXT(err.message, "step 2 of the log (activity-result) does not come out as it did, from its entry 0 (task.completed) on: it "
                             "was made by another version, so the state behind it cannot be told");
    f.log[1].entries = entries;
    f.log[1].event = PW_LIT("dream");
    EXPECT_INT(replay_all(&f, &f.settings, &err), PAWL_SCHEMA);
    EXPECT_TEXT(err.message, "step 2 of the log was caused by 'dream', which this version does not know");
    f.log[1].event = PW_LIT("start");
    EXPECT_INT(replay_all(&f, &f.settings, &err), PAWL_STATE);
    EXPECT_TEXT(err.message, "step 2 of the log cannot be decided again: its row cannot be read");
    f.log[1].event = PW_LIT("activity-result");
    f.log[1].cause = PW_LIT("{");
    EXPECT_INT(replay_all(&f, &f.settings, &err), PAWL_INVALID);
    EXPECT_CONTAINS(err.message, "step 2 of the log: ");
    f.log[1].cause = (pw_str){ 0 };
    f.log[1].sequence = 3;
    EXPECT_INT(replay_all(&f, &f.settings, &err), PAWL_CORRUPT);
    EXPECT_TEXT(err.message, "step 2 of the log is not there");
    f.log[1].sequence = 2;
    fixture_close(&f);
}

TEST(replay, settings_may_have_changed_meanwhile)
{
    fixture f;
    pawl_error err;
    fixture_open(&f, "  - a: { call: work }\n  - b: { set: { x: 1 } }\n  - c: { set: { x: 2 } }\n");
    fixture_retries(&f, 2);
    f.faults.suspend_after = 1;
    f.settings.tasks_per_step = 1;
    f.settings.long_running_ms = 60000;
    fixture_start(&f, "null");
    fixture_failed(&f, 1, 1, "{\"status\":503,\"title\":\"no\"}");
    fixture_timer(&f, T0 + 1000);
    fixture_timer(&f, T0 + 60000);
    EXPECT_TEXT(fixture_entries(&f), "instance.long-running");
    fixture_result(&f, 1, 2, "1");
    EXPECT(f.t.cut);
    fixture_drive(&f);
    EXPECT(f.t.cut || f.t.status == PW_COMPLETED);
    pw_core_settings others = { .generation = f.settings.generation, .tasks_per_step = 7, .long_running_ms = 1 };
    EXPECT_OK(replay_all(&f, &others, &err), err);
    fixture_close(&f);
}

static const char calls[] = "  - a: { call: http, with: { method: get, endpoint: 'http://x/a' } }\n"
                            "  - b: { call: http, with: { method: get, endpoint: 'http://x/b' } }\n";
static const pw_str past[] = { { "g-2", 3 }, { "generation", 10 } };

/* From now on in a store that was restored from one of the fixture's generation, and before that from another. */
static void restored(fixture *f)
{
    f->settings.generation = PW_LIT("g-3");
    f->settings.past = past;
    f->settings.past_count = PW_LENGTH(past);
}

TEST(replay, a_call_of_before_a_restore_has_the_key_that_the_log_says)
{
    fixture f;
    pawl_error err;
    fixture_open(&f, calls);
    fixture_start(&f, "null");
    restored(&f);
    fixture_answer(&f, 1, 200, "application/json", "1");
    fixture_answer(&f, 2, 200, "application/json", "2");
    EXPECT_STATUS(f, "completed");
    EXPECT_OK(replay_all(&f, &f.settings, &err), err);
    f.settings.past_count = 1; /* who does not know the store that it was asked in cannot decide it once more */
    EXPECT_INT(replay_all(&f, &f.settings, &err), PAWL_STATE);
    f.settings.past_count = PW_LENGTH(past);
    fixture_close(&f);
}

TEST(replay, what_may_have_been_done_is_asked_for_under_its_key_in_a_restored_store)
{
    fixture f;
    fixture_open(&f, calls);
    fixture_start(&f, "null");
    const char *key = fixture_text(&f, f.t.calls[0].key);
    const pw_event lost = { .kind = PW_EVENT_CALL_LOST, .now_ms = f.now_ms, .visit = 1, .attempt = 1 };
    fixture_event(&f, &lost);
    EXPECT_STATUS(f, "faulted");
    restored(&f);
    fixture_command(&f, PW_EVENT_RETRY, "ann", "");
    EXPECT_INT(f.t.call_count, 1);
    EXPECT_STR(f.t.calls[0].key, key);
    fixture_close(&f);
}

TEST(replay, what_does_not_begin_in_a_step_is_not_found_there)
{
    fixture f;
    pawl_error err;
    pw_replay *replay;
    fixture_open(&f, two);
    fixture_start(&f, "null");
    fixture_result(&f, 1, 1, "1");
    const pw_payload_source source = fixture_source(&f);
    EXPECT_OK(pw_replay_new(&replay, f.program, &f.identity, &f.settings, &source, f.machine, &err), err);
    EXPECT(pw_replay_state(replay) == NULL);
    EXPECT_INT(pw_replay_until(replay, &f.log[0], 2, &f.arena, &err), PAWL_NOT_FOUND);
    EXPECT_TEXT(err.message, "in step 1 of the log no task of the visit 2 begins");
    EXPECT_OK(pw_replay_step(replay, &f.log[0], &f.arena, &err), err); /* the same step, as a whole */
    EXPECT_OK(pw_replay_until(replay, &f.log[1], 2, &f.arena, &err), err);
    EXPECT(pw_state_cut(pw_replay_state(replay)));
    EXPECT(!pw_state_wants(pw_replay_state(replay), 2, 1));
    pw_replay_free(replay);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ */

TEST(rewind, every_scope_has_a_new_visit_and_calls_have_new_keys)
{
    fixture f;
    pawl_error err;
    pw_transition t;
    fixture_open(&f, two);
    fixture_start(&f, "null");
    pw_str key = pw_arena_str(&f.arena, f.t.work[0].key);
    const pw_state *then = f.state;
    fixture_result(&f, 1, 1, "1");
    fixture_result(&f, 2, 1, "2");
    EXPECT_STATUS(f, "completed");
    f.identity.sequence = 4;
    pw_event event = { .kind = PW_EVENT_REWIND, .now_ms = T0 + 1, .rewound = then, .rewound_ms = T0, .to_step = 1 };
    EXPECT_OK(pw_core_step(&t, f.program, f.state, &f.identity, &event, &f.settings, f.machine, &f.arena, &err), err);
    EXPECT_STR(t.entries, "[{\"type\":\"instance.rewound\",\"by\":\"system\",\"step\":1},{\"type\":\"task.started\",\"task\":"
                          "\"/do/0/a\",\"visit\":3,\"function\":\"work\",\"input\":{\"n\":1}}]");
    EXPECT_INT(t.status, PW_WAITING);
    EXPECT_INT(t.work_count, 1);
    EXPECT(!pw_str_eq(t.work[0].key, key));
    event.rewound = f.state; /* it had ended there */
    EXPECT_OK(pw_core_step(&t, f.program, f.state, &f.identity, &event, &f.settings, f.machine, &f.arena, &err), err);
    EXPECT(!t.changed);
    EXPECT_INT(t.code, PAWL_STATE);
    EXPECT_STR(t.message, "it cannot go back there: the instance had ended; give an earlier step");
    fixture_close(&f);
}

TEST(rewind, a_timeout_that_is_open_again_is_as_far_away_as_it_was)
{
    fixture f;
    pawl_error err;
    pw_transition t;
    fixture_open(&f, "  - s: { do: [ { a: { call: work } } ], timeout: { after: PT1M } }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.timer_at, T0 + 60000);
    const pw_state *then = f.state;
    fixture_result(&f, 2, 1, "1");
    EXPECT_STATUS(f, "completed");
    f.identity.sequence = 3;
    pw_event event = { .kind = PW_EVENT_REWIND, .now_ms = T0 + 100000, .rewound = then, .rewound_ms = T0, .to_step = 1 };
    EXPECT_OK(pw_core_step(&t, f.program, f.state, &f.identity, &event, &f.settings, f.machine, &f.arena, &err), err);
    EXPECT_INT(t.status, PW_WAITING);
    EXPECT_INT(t.timer_at, T0 + 160000);
    fixture_close(&f);
}

TEST_MAIN()
