/* Idempotency keys, and what a restart must not change: each test stores the state as text and
 * reads it back between its steps. */
#include "fixture.h"
#include "core/step.h"

static const char *key_of_call(fixture *f)
{
    EXPECT_INT(f->t.call_count, 1);
    return fixture_text(f, f->t.calls[0].key);
}

static void answer(fixture *f, int status)
{
    fixture_reload(f);
    fixture_answer(f, f->t.calls[0].visit, status, "application/json", "{}");
}

static void expect_different(const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            EXPECT(strcmp(keys[i], keys[j]) != 0);
}

/* The stored state with `what`, which is in it, replaced. */
static pawl_code parse_changed(fixture *f, const char *what, const char *by)
{
    const char *text = fixture_text(f, f->t.state_text), *at = strstr(text, what);
    if (!at)
        fail_msg("no %s in %s", what, text);
    pw_str changed =
        pw_arena_printf(&f->arena, "%.*s%s%s", (int)(at - text), text, by, at + strlen(what));
    pw_state *state = NULL;
    pawl_error err;
    return pw_state_parse(&state, changed, f->program, NULL, &f->arena, &err);
}

/* ------------------------------------------------------------------ keys */

TEST(key, each_round_of_nested_loops_has_its_own)
{
    fixture f;
    fixture_open(&f, "  - outer:\n"
                     "      for: { each: a, in: '[1, 2]' }\n"
                     "      do:\n"
                     "        - inner:\n"
                     "            for: { each: b, in: '[1, 2]' }\n"
                     "            do: [ { get: { call: http, with: { method: post, endpoint: "
                     "'http://x/y' } } } ]\n");
    fixture_start(&f, "null");
    const char *keys[4];
    for (size_t i = 0; i < 4; i++) {
        keys[i] = key_of_call(&f);
        answer(&f, 200);
    }
    EXPECT_STATUS(f, "completed");
    expect_different(keys, 4);
    fixture_close(&f);
}

TEST(key, a_task_that_is_gone_back_to_has_another)
{
    fixture f;
    fixture_open(&f, "  - get:\n"
                     "      call: http\n"
                     "      with: { method: post, endpoint: 'http://x/y' }\n"
                     "      output: { as: '{ n: ($input.n + 1) }' }\n"
                     "  - again: { switch: [ { more: { when: .n < 3, then: get } } ] }\n");
    fixture_start(&f, "{\"n\":0}");
    const char *keys[3];
    for (size_t i = 0; i < 3; i++) {
        keys[i] = key_of_call(&f);
        answer(&f, 200);
    }
    EXPECT_OUTPUT(f, "{\"n\":3}");
    expect_different(keys, 3);
    fixture_close(&f);
}

TEST(key, a_retry_that_asks_something_else_has_another)
{
    fixture f;
    fixture_open(&f, "  - safe:\n"
                     "      try:\n"
                     "        - count: { set: { n: 1 }, export: { as: '{ n: (($context.n // 0) + "
                     "1) }' } }\n"
                     "        - get: { call: http, with: { method: get, endpoint: 'http://x/', "
                     "query: { n: '${ $context.n }' } } }\n"
                     "      catch: { retry: { delay: PT1S, limit: { attempt: { count: 1 } } } }\n");
    fixture_start(&f, "null");
    const char *keys[2] = { key_of_call(&f), NULL };
    answer(&f, 503);
    fixture_reload(&f);
    fixture_timer(&f, T0 + 1000);
    keys[1] = key_of_call(&f);
    EXPECT_CONTAINS(fixture_text(&f, f.t.calls[0].request), "?n=2");
    expect_different(keys, 2);
    fixture_close(&f);
}

TEST(key, is_made_of_the_store_and_the_instance_and_not_of_the_correlation)
{
    static const struct {
        const char *generation, *instance, *correlation;
    } rows[] = {
        { "g1", "i1", "c1" }, { "g2", "i1", "c1" }, { "g1", "i2", "c1" }, { "g1", "i1", "c2" }
    };
    fixture f[PW_LENGTH(rows)];
    const char *keys[2][PW_LENGTH(rows)];
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture_open(&f[i], "  - both:\n"
                            "      fork:\n"
                            "        branches:\n"
                            "          - a: { call: http, with: { method: get, endpoint: "
                            "'http://x/' } }\n"
                            "          - b: { call: work }\n");
        f[i].settings.generation = pw_str_of(rows[i].generation);
        f[i].identity.instance = pw_str_of(rows[i].instance);
        f[i].identity.correlation = pw_str_of(rows[i].correlation);
        fixture_start(&f[i], "null");
        EXPECT_INT(f[i].t.work_count, 1);
        keys[0][i] = key_of_call(&f[i]);
        keys[1][i] = fixture_text(&f[i], f[i].t.work[0].key);
        EXPECT_INT(strlen(keys[0][i]), PW_ID_SIZE - 1);
    }
    for (int kind = 0; kind < 2; kind++) {
        expect_different(keys[kind], 3);
        EXPECT_TEXT(keys[kind][3], keys[kind][0]);
    }
    for (size_t i = 0; i < PW_LENGTH(rows); i++)
        fixture_close(&f[i]);
}

/* ------------------------------------------------------------------ what is stored */

TEST(restart, the_time_for_all_attempts_counts_from_the_first)
{
    fixture f;
    fixture_open(&f, "  - safe:\n"
                     "      try:\n"
                     "        - get: { call: http, with: { method: get, endpoint: 'http://x/' } }\n"
                     "      catch: { retry: { delay: PT2S, limit: { duration: PT5S } } }\n");
    fixture_start(&f, "null");
    f.now_ms = T0 + 1000;
    answer(&f, 503); /* again at 3 s */
    EXPECT_STATUS(f, "waiting");
    fixture_reload(&f);
    fixture_timer(&f, T0 + 3000);
    f.now_ms = T0 + 3500;
    answer(&f, 503); /* would begin at 5.5 s */
    EXPECT_STATUS(f, "faulted");
    fixture_close(&f);
}

TEST(restart, a_completed_task_tells_how_long_it_took_and_at_which_attempt)
{
    fixture f;
    fixture_open(&f, "  - a: { call: work }\n");
    fixture_retries(&f, 1);
    fixture_start(&f, "null");
    fixture_reload(&f);
    fixture_lost(&f, 1, 1);
    fixture_reload(&f);
    f.now_ms = T0 + 250;
    fixture_result(&f, 1, 2, "{\"n\":1}");
    EXPECT_STATUS(f, "completed");
    EXPECT_TEXT(fixture_text(&f, pw_json_text(&f.arena, fixture_entry(&f, 0), PW_JSON_COMPACT)),
                "{\"type\":\"task.completed\",\"task\":\"/do/0/a\",\"visit\":1,\"durationMs\":250,"
                "\"attempt\":2,\"output\":{\"n\":1}}");
    fixture_close(&f);
}

TEST(restart, a_suspended_instance_still_says_who_did_it_and_why)
{
    fixture f;
    fixture_open(&f, "  - ask: { call: userTask, with: { key: k } }\n");
    fixture_start(&f, "null");
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "on holiday");
    fixture_reload(&f);
    pw_value waits = pw_state_waits(f.state, f.program, &f.arena);
    EXPECT_INT(waits.count, 2);
    EXPECT_TEXT(fixture_text(&f, pw_json_text(&f.arena, pw_item(waits, 0), PW_JSON_COMPACT)),
                "{\"kind\":\"continue\",\"reason\":\"suspended by ann: on holiday\"}");
    fixture_close(&f);
}

TEST(restart, a_handler_still_knows_the_error_and_the_raw_input_of_its_task)
{
    fixture f;
    fixture_open(&f, "  - safe:\n"
                     "      input: { from: .inner }\n"
                     "      try: [ { get: { call: work } } ]\n"
                     "      catch:\n"
                     "        as: e\n"
                     "        do:\n"
                     "          - ask: { call: work }\n"
                     "          - tell: { set: '${ { was: $e.status, here: $input } }' }\n"
                     "      output: { as: '${ . + { raw: $task.input } }' }\n");
    fixture_start(&f, "{\"inner\":{\"k\":1}}");
    fixture_failed(&f, 2, 1, "{\"status\":418}");
    fixture_reload(&f);
    fixture_result(&f, 3, 1, "{\"k\":2}");
    EXPECT_OUTPUT(f, "{\"was\":418,\"here\":{\"k\":2},\"raw\":{\"inner\":{\"k\":1}}}");
    fixture_close(&f);
}

TEST(restart, an_empty_catch_goes_on_with_the_transformed_input)
{
    fixture f;
    fixture_open(&f,
                 "  - safe: { input: { from: .inner }, try: [ { get: { call: work } } ], catch: "
                 "{} }\n");
    fixture_start(&f, "{\"inner\":{\"k\":1}}");
    fixture_reload(&f);
    fixture_failed(&f, 2, 1, "{\"status\":418}");
    EXPECT_OUTPUT(f, "{\"k\":1}");
    fixture_close(&f);
}

TEST(restart, an_attempt_is_wanted_by_its_number_while_it_runs)
{
    fixture f;
    fixture_open(&f, "  - a: { call: work }\n");
    fixture_retries(&f, 1);
    fixture_start(&f, "null");
    fixture_lost(&f, 1, 1);
    fixture_reload(&f);
    EXPECT(!pw_state_wants(f.state, 1, 1));
    EXPECT(pw_state_wants(f.state, 1, 2));
    EXPECT(!pw_state_wants(f.state, 2, 2));
    fixture_result(&f, 1, 2, "1");
    EXPECT(!pw_state_wants(f.state, 1, 2));
    fixture_close(&f);
}

TEST(restart, a_copy_of_a_state_has_its_texts_in_its_own_memory)
{
    fixture f;
    fixture_open(&f, "  - a: { call: work }\n");
    fixture_start(&f, "null");
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "look");
    pw_state *copy;
    pawl_error err;
    EXPECT_OK(pw_state_copy(&copy, f.state, &f.arena, &err), err);
    const pw_frame *from = f.state->root->child, *to = copy->root->child;
    EXPECT_INT(to->visit, 1);
    EXPECT(to->key.len > 0 && pw_str_eq(to->key, from->key));
    EXPECT(to->key.ptr != from->key.ptr);
    EXPECT(copy->suspended_by.ptr != f.state->suspended_by.ptr);
    EXPECT_STR(copy->suspended_reason, "look");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ what is refused */

TEST(restart, a_state_that_breaks_a_promise_is_corrupt)
{
    fixture f;
    fixture_open(&f,
                 "  - all: { for: { in: '[1, 2]' }, do: [ { w: { call: work, with: { x: 1 } } }, "
                 "{ next: { wait: PT1S } } ] }\n"
                 "  - other: { call: work }\n");
    fixture_start(&f, "null");
    fixture_result(&f, 2, 1, "{}");
    fixture_timer(&f, T0 + 1000); /* in the second round: at 1 of 2 items */
    static const struct {
        const char *what, *by;
        pawl_code code;
    } rows[] = {
        { "\"f\":5,", "\"f\":2,", PAWL_OK },
        { "\"f\":5,", "\"f\":6,", PAWL_SCHEMA },            /* the next format */
        { "\"i\":1,", "\"i\":2,", PAWL_CORRUPT },           /* behind the last item */
        { "\"a\":{", "\"b\":{", PAWL_CORRUPT },             /* an activity without arguments */
        { "\"v\":4,", "\"v\":9007199254740992,", PAWL_OK }, /* visits: at most 2^53 */
        { "\"v\":4,", "\"v\":9007199254740993,", PAWL_CORRUPT },
        { "\"t\":1,\"p\":6", "\"t\":2,\"p\":4", PAWL_CORRUPT }, /* a wait without a time */
        { "\"t\":1,\"p\":6", "\"t\":3,\"p\":6", PAWL_CORRUPT }, /* a task of another list */
        { "\"t\":1,\"p\":6", "\"t\":1,\"p\":7", PAWL_CORRUPT }, /* in a phase it has not */
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        pawl_code code = parse_changed(&f, rows[i].what, rows[i].by);
        if (code != rows[i].code)
            fail_msg("%s for %s: %s", rows[i].by, rows[i].what, pawl_code_name(code));
    }
    fixture_close(&f);
}

TEST(restart, a_fork_has_as_many_open_branches_as_it_may)
{
    fixture f;
    fixture_open(&f, "  - both:\n"
                     "      fork:\n"
                     "        branches: [ { a: { call: work } }, { b: { call: work } } ]\n");
    fixture_start(&f, "null");
    EXPECT_INT(parse_changed(&f, "\"i\":2,", "\"i\":2,"), PAWL_OK);
    EXPECT_INT(parse_changed(&f, "\"i\":2,", ""), PAWL_CORRUPT); /* none, and two are there */
    EXPECT_INT(parse_changed(&f, "\"i\":2,", "\"i\":3,"), PAWL_CORRUPT);
    fixture_close(&f);
}

TEST(restart, a_fork_has_an_output_for_each_branch)
{
    fixture f;
    fixture_open(&f, "  - both: { fork: { branches: [ { a: { call: work } }, { b: { call: work } } "
                     "] } }\n");
    fixture_start(&f, "null");
    EXPECT_INT(parse_changed(&f, "\"it\":[null,null]", "\"it\":[1,{}]"), PAWL_OK);
    EXPECT_INT(parse_changed(&f, "\"it\":[null,null]", "\"it\":[null]"), PAWL_CORRUPT);
    EXPECT_INT(parse_changed(&f, "\"it\":[null,null]", "\"it\":[null,null,null]"), PAWL_CORRUPT);
    fixture_result(&f, 2, 1, "{}");
    EXPECT_INT(parse_changed(&f, "\"it\":[{},null]", "\"it\":[{},1]"), PAWL_OK);
    EXPECT_INT(parse_changed(&f, "\"it\":[{},null]", "\"it\":[{}]"), PAWL_CORRUPT);
    fixture_close(&f);
}

TEST(restart, a_task_that_has_not_begun_has_no_timeout)
{
    fixture f;
    fixture_open(&f, "  - a: { set: { n: 1 } }\n  - b: { set: { n: 2 } }\n");
    f.settings.tasks_per_step = 1;
    fixture_start(&f, "null");
    EXPECT(f.t.cut);
    EXPECT_INT(parse_changed(&f, "\"p\":0", "\"p\":0,\"s1\":5"), PAWL_OK);
    EXPECT_INT(parse_changed(&f, "\"p\":0", "\"p\":0,\"to\":5"), PAWL_CORRUPT);
    fixture_close(&f);
}

/* Functions that call each other may nest without end in a text; the reader recurses. */
TEST(restart, scopes_are_read_to_their_limit_and_no_deeper)
{
    fixture f;
    fixture_open(&f, "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\n"
                     "use:\n"
                     "  functions:\n"
                     "    f: { call: f }\n"
                     "do:\n"
                     "  - a: { call: f }\n");
    fixture_start(&f, "null");
    const pw_task *outer = f.program->body.tasks[0], *inner = outer->as.call.body;
    static const struct {
        unsigned depth;
        pawl_code code;
    } rows[] = { { 121, PAWL_OK }, { 122, PAWL_CORRUPT }, { 3000, PAWL_CORRUPT } };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        pw_buf text;
        pw_buf_init(&text, 0);
        pw_buf_text(&text, "{\"f\":1,\"s\":\"running\",\"v\":1,\"t\":1,\"i\":null,\"x\":null,"
                           "\"r\":{\"=\":1");
        for (unsigned n = 1; n <= rows[i].depth; n++)
            pw_buf_printf(&text, ",\"c\":[{\"t\":%u,\"p\":1,\"v\":%u,\"=\":1",
                          n == 1 ? outer->index : inner->index, n);
        for (unsigned n = 1; n <= rows[i].depth; n++)
            pw_buf_text(&text, "}]");
        pw_buf_text(&text, "}}");
        pw_state *state;
        pawl_error err;
        EXPECT_INT(pw_state_parse(&state, pw_buf_view(&text), f.program, NULL, &f.arena, &err),
                   rows[i].code);
        if (rows[i].code != PAWL_OK)
            EXPECT_CONTAINS(err.message, "scopes are nested too deep");
        pw_buf_done(&text);
    }
    fixture_close(&f);
}

TEST_MAIN()
