/* A workflow that runs others: what it sends, what it makes of what comes back, and what becomes of
 * a child that nobody waits for. Stored and read back between all steps. */
#include "fixture.h"
#include "core/step.h"

#define SUB "run: { workflow: { namespace: shop, name: pack, version: 1.0.0 } }"
#define ID "0123456789abcdefghjkmnpqrs"

static const pw_inbox_message *message(fixture *f, size_t at)
{
    EXPECT(at < f->t.message_count);
    return &f->t.messages[at];
}

static const char *payload(fixture *f, size_t at, const char *member)
{
    return fixture_member(f, fixture_text(f, message(f, at)->payload), member);
}

static pw_value json(fixture *f, const char *text)
{
    pw_value v;
    pawl_error err;
    EXPECT_OK(pw_json_parse(&v, pw_str_of(text), NULL, &f->arena, &err), err);
    return v;
}

static void child_ended(fixture *f, uint64_t visit, const char *child, const char *output,
                        const char *error)
{
    pw_event event = { .kind = PW_EVENT_CHILD_ENDED, .now_ms = f->now_ms };
    event.visit = visit;
    event.key = pw_str_of(child);
    event.payload = output ? json(f, output) : pw_null();
    if (error)
        event.error = json(f, error);
    fixture_reload(f);
    fixture_event(f, &event);
}

/* An instance of a parent that waits for it, `depth` below the first. */
static void start_as_child(fixture *f, uint32_t depth)
{
    pw_event event = { .kind = PW_EVENT_START, .now_ms = f->now_ms };
    event.payload = json(f, "{\"n\":1}");
    event.parent = PW_LIT("p1");
    event.parent_visit = 5;
    event.depth = depth;
    fixture_event(f, &event);
}

/* The child of the only message, a start. */
static const char *started(fixture *f)
{
    EXPECT_INT(f->t.message_count, 1);
    EXPECT_STR(message(f, 0)->kind, "start");
    EXPECT_STR(message(f, 0)->dedupe_key, "start");
    EXPECT_INT(message(f, 0)->target.len, 26);
    return fixture_text(f, message(f, 0)->target);
}

static void expect_cancel(fixture *f, size_t at, const char *child)
{
    EXPECT_STR(message(f, at)->kind, "cancel");
    EXPECT_STR(message(f, at)->target, child);
    EXPECT_STR(message(f, at)->dedupe_key, "stop-by-parent");
    EXPECT_TEXT(fixture_text(f, message(f, at)->payload),
                "{\"parent\":\"i1\",\"reason\":\"its parent does not wait for it any more\"}");
}

/* ------------------------------------------------------------------ the parent */

TEST(child, is_started_and_waited_for_and_its_output_goes_on)
{
    fixture f;
    fixture_open(&f, "  - a: { " SUB ", output: { as: '{ got: . }' } }\n"
                     "  - b: { set: { was: '${ .got.x }' } }\n");
    f.identity.correlation = PW_LIT("c1");
    fixture_start(&f, "{\"n\":1.50}");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    const char *child = started(&f);
    EXPECT_TEXT(fixture_text(&f, message(&f, 0)->payload),
                "{\"namespace\":\"shop\",\"name\":\"pack\",\"version\":\"1.0.0\",\"parent\":\"i1\","
                "\"visit\":1,\"depth\":1,\"correlation\":\"c1\",\"input\":{\"n\":1.50}}");
    EXPECT_INT(f.t.bookmark_count, 1);
    EXPECT_INT(f.t.bookmarks[0].kind, PW_BOOKMARK_CHILD);
    EXPECT_STR(f.t.bookmarks[0].key, child);
    EXPECT_TEXT(fixture_entries(&f), "instance.started; task.started /do/0/a");
    pw_value waits = pw_state_waits(f.state, f.program, &f.arena);
    EXPECT_INT(waits.count, 1);
    EXPECT_STR(pw_get_text(pw_item(waits, 0), "kind"), "child");
    EXPECT_STR(pw_get_text(pw_item(waits, 0), "child"), child);
    EXPECT_STR(pw_get_text(pw_item(waits, 0), "workflow"), "shop/pack");
    child_ended(&f, 1, child, "{\"x\":[1]}", NULL);
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"was\":[1]}");
    EXPECT_INT(f.t.bookmark_end_count, 1);
    EXPECT(f.t.bookmark_ends[0].consumed);
    EXPECT_STR(f.t.bookmark_ends[0].key, child);
    EXPECT_INT(f.t.message_count, 0);
    fixture_close(&f);
}

TEST(child, that_is_not_waited_for_leaves_the_input_as_output)
{
    fixture f;
    fixture_open(&f, "  - a:\n"
                     "      run: { workflow: { namespace: shop, name: pack, version: latest,\n"
                     "                         input: { m: '${ .n + 1 }' } }, await: false }\n");
    fixture_start(&f, "{\"n\":1}");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"n\":1}");
    (void)started(&f);
    EXPECT_TEXT(fixture_text(&f, message(&f, 0)->payload),
                "{\"namespace\":\"shop\",\"name\":\"pack\",\"parent\":\"i1\",\"depth\":1,"
                "\"correlation\":\"i1\",\"input\":{\"m\":2}}");
    EXPECT_INT(f.t.bookmark_count, 0);
    fixture_close(&f);
}

TEST(child, without_an_input_gets_the_tasks)
{
    fixture f;
    fixture_open(&f, "  - s: { set: { m: { x: 1 } } }\n"
                     "  - a: { " SUB ", input: { from: .m } }\n");
    fixture_start(&f, "{\"n\":1}");
    EXPECT_TEXT(payload(&f, 0, "input"), "{\"x\":1}");
    fixture_close(&f);
}

TEST(child, that_faults_gives_its_error_with_the_place_before_it)
{
    static const struct {
        const char *error, *expected;
    } rows[] = {
        { "{\"type\":\"urn:x\",\"status\":418,\"title\":\"t\",\"detail\":\"d\",\"instance\":\"/do/"
          "2/"
          "x\"}",
          "{\"type\":\"urn:x\",\"status\":418,\"title\":\"t\",\"detail\":\"d\",\"instance\":\"/do/"
          "0/"
          "a/do/2/x\"}" },
        { "{\"type\":\"urn:x\",\"status\":500,\"instance\":\"/\"}",
          "{\"type\":\"urn:x\",\"status\":500,\"instance\":\"/do/0/a\"}" },
        { "{\"type\":\"urn:x\",\"status\":500}",
          "{\"type\":\"urn:x\",\"status\":500,\"instance\":\"/do/0/a\"}" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        fixture_open(&f, "  - a: { " SUB " }\n");
        fixture_start(&f, "null");
        child_ended(&f, 1, started(&f), NULL, rows[i].error);
        EXPECT_STATUS(f, "faulted");
        EXPECT_TEXT(fixture_text(&f, f.t.error), rows[i].expected);
        fixture_close(&f);
    }
}

TEST(child, that_faults_without_an_error_is_an_error_all_the_same)
{
    fixture f;
    fixture_open(&f, "  - a: { " SUB " }\n");
    fixture_start(&f, "null");
    child_ended(&f, 1, started(&f), NULL, "\"boom\"");
    EXPECT_STATUS(f, "faulted");
    EXPECT_CONTAINS(fixture_text(&f, f.t.error), "the child workflow failed");
    fixture_close(&f);
}

TEST(child, whose_fault_is_caught_is_run_again_by_a_retry_as_another_one)
{
    fixture f;
    fixture_open(&f, "  - t:\n"
                     "      try: [ { a: { " SUB " } } ]\n"
                     "      catch: { retry: { delay: PT1S, limit: { attempt: { count: 1 } } } }\n");
    fixture_start(&f, "{\"n\":1}");
    const char *first = started(&f);
    child_ended(&f, 2, first, NULL, "{\"type\":\"urn:x\",\"status\":500}");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.message_count, 0); /* the first one has ended: it is not cancelled */
    fixture_reload(&f);
    fixture_timer(&f, T0 + 1000);
    const char *second = started(&f);
    EXPECT(strcmp(first, second) != 0);
    EXPECT_TEXT(payload(&f, 0, "input"), "{\"n\":1}");
    child_ended(&f, 3, second, "2", NULL);
    EXPECT_OUTPUT(f, "2");
    fixture_close(&f);
}

TEST(child, of_each_round_of_a_loop_is_another_one)
{
    fixture f;
    fixture_open(
        &f, "  - l:\n"
            "      for: { in: '[1, 2, 3]' }\n"
            "      do: [ { a: { run: { workflow: { namespace: shop, name: pack,\n"
            "                version: 1.0.0, input: { n: '${ $item }' } }, await: false } } } ]\n");
    fixture_start(&f, "null");
    EXPECT_STATUS(f, "completed");
    EXPECT_INT(f.t.message_count, 3);
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < i; j++)
            EXPECT(!pw_str_eq(message(&f, i)->target, message(&f, j)->target));
    EXPECT_TEXT(payload(&f, 2, "input"), "{\"n\":3}");
    fixture_close(&f);
}

TEST(child, id_is_made_of_its_parent_and_the_step)
{
    fixture f[3];
    const char *ids[3];
    for (size_t i = 0; i < 3; i++) {
        fixture_open(&f[i], "  - a: { " SUB " }\n");
        f[i].identity.instance = i == 1 ? PW_LIT("i2") : PW_LIT("i1");
        fixture_start(&f[i], "null");
        ids[i] = started(&f[i]);
    }
    EXPECT(strcmp(ids[0], ids[1]) != 0);
    EXPECT_TEXT(ids[0], ids[2]); /* decided again, it is the same */
    for (size_t i = 0; i < 3; i++)
        fixture_close(&f[i]);
}

TEST(child, result_that_comes_while_suspended_is_kept)
{
    static const char *const ends[] = { "7", NULL };
    for (size_t i = 0; i < PW_LENGTH(ends); i++) {
        fixture f;
        fixture_open(&f, "  - a: { " SUB " }\n");
        fixture_start(&f, "null");
        const char *child = started(&f);
        fixture_reload(&f);
        fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
        child_ended(&f, 1, child, ends[i], ends[i] ? NULL : "{\"type\":\"urn:x\",\"status\":500}");
        EXPECT_STATUS(f, "suspended");
        EXPECT_TEXT(fixture_entries(&f), "result.kept /do/0/a");
        fixture_reload(&f);
        fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
        EXPECT_STATUS(f, ends[i] ? "completed" : "faulted");
        EXPECT_INT(f.t.message_count, 0);
        fixture_close(&f);
    }
}

TEST(child, that_nobody_waits_for_any_more_is_only_written_down)
{
    fixture f;
    fixture_open(&f, "  - a: { " SUB " }\n");
    fixture_start(&f, "null");
    const char *child = started(&f);
    child_ended(&f, 1, "another", "1", NULL);
    EXPECT_STATUS(f, "waiting");
    EXPECT_TEXT(fixture_entries(&f), "child.late");
    child_ended(&f, 2, child, "1", NULL);
    EXPECT_TEXT(fixture_entries(&f), "child.late");
    child_ended(&f, 1, child, "1", NULL);
    EXPECT_STATUS(f, "completed");
    child_ended(&f, 1, child, NULL, "{\"type\":\"urn:x\",\"status\":500}");
    EXPECT_STATUS(f, "completed");
    EXPECT_TEXT(fixture_entries(&f), "child.late");
    EXPECT_STR(pw_get_text(fixture_entry(&f, 0), "child"), child);
    fixture_close(&f);
}

TEST(child, depth_has_a_limit)
{
    static const uint32_t depths[] = { 63, 64 };
    for (size_t i = 0; i < PW_LENGTH(depths); i++) {
        fixture f;
        fixture_open(&f, "  - t: { try: [ { a: { " SUB " } } ], catch: { as: e, do: [ { b: { set: "
                         "{ e: '${ $e }' } } } ] } }\n");
        start_as_child(&f, depths[i]);
        if (depths[i] < 64) {
            EXPECT_TEXT(payload(&f, 0, "depth"), "64");
            fixture_reload(&f);
            EXPECT_INT(f.state->depth, 63);
        } else {
            EXPECT_STATUS(f, "completed");
            const char *error = fixture_member(&f, fixture_text(&f, f.t.output), "e");
            EXPECT_CONTAINS(fixture_member(&f, error, "type"), "errors/configuration");
            EXPECT_TEXT(fixture_member(&f, error, "title"), "workflows run each other too deep");
        }
        fixture_close(&f);
    }
}

TEST(child, input_that_cannot_be_evaluated_is_an_error_and_starts_nothing)
{
    fixture f;
    fixture_open(&f, "  - a: { run: { workflow: { namespace: shop, name: pack, version: 1.0.0,\n"
                     "                            input: { n: '${ error(\"no\") }' } } } }\n");
    fixture_start(&f, "null");
    EXPECT_STATUS(f, "faulted");
    EXPECT_INT(f.t.message_count, 0);
    EXPECT_INT(f.t.bookmark_count, 0);
    fixture_close(&f);
}

/* Eight megabytes go into a step; what is behind them begins in the next. */
TEST(child, many_large_inputs_are_spread_over_steps)
{
    fixture f;
    fixture_open(&f, "  - l:\n"
                     "      for: { in: '[range(12)]' }\n"
                     "      do: [ { a: { run: { workflow: { namespace: shop, name: pack,\n"
                     "                version: 1.0.0 }, await: false } } } ]\n");
    pw_event event = { .kind = PW_EVENT_START, .now_ms = T0 };
    char *large = pw_arena_alloc(&f.arena, 1 << 20);
    memset(large, 'x', 1 << 20);
    event.payload = pw_string_ref((pw_str){ large, 1 << 20 });
    fixture_event(&f, &event);
    EXPECT_INT(f.t.message_count, 8);
    EXPECT(f.t.cut);
    EXPECT_STATUS(f, "running");
    fixture_reload(&f);
    fixture_drive(&f);
    EXPECT_INT(f.t.message_count, 4);
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ nobody waits any more */

static const char *started_reloaded(fixture *f)
{
    const char *child = started(f);
    fixture_reload(f);
    return child;
}

TEST(close, of_the_parent_by_cancel_cancels_the_child)
{
    fixture f;
    fixture_open(&f, "  - a: { " SUB " }\n");
    fixture_start(&f, "null");
    const char *child = started_reloaded(&f);
    fixture_command(&f, PW_EVENT_CANCEL, "ann", "");
    EXPECT_STATUS(f, "cancelled");
    EXPECT_INT(f.t.message_count, 1);
    expect_cancel(&f, 0, child);
    EXPECT_INT(f.t.bookmark_end_count, 1);
    EXPECT(!f.t.bookmark_ends[0].consumed);
    fixture_close(&f);
}

TEST(close, leaves_a_child_that_is_to_be_left)
{
    fixture f;
    fixture_open(&f, "  - a: { " SUB ", metadata: { pawl: { parentClose: leave } } }\n");
    fixture_start(&f, "null");
    const char *child = started_reloaded(&f);
    fixture_command(&f, PW_EVENT_CANCEL, "ann", "");
    EXPECT_INT(f.t.message_count, 0);
    EXPECT_INT(f.t.bookmark_end_count, 1);
    child_ended(&f, 1, child, "1", NULL);
    EXPECT_STATUS(f, "cancelled");
    EXPECT_TEXT(fixture_entries(&f), "child.late");
    fixture_close(&f);
}

TEST(close, by_a_timeout_cancels_the_child)
{
    static const char *const flows[] = {
        "  - a: { " SUB ", timeout: { after: PT1S } }\n",
        "  - d: { do: [ { a: { " SUB " } } ], timeout: { after: PT1S } }\n",
    };
    for (size_t i = 0; i < PW_LENGTH(flows); i++) {
        fixture f;
        fixture_open(&f, flows[i]);
        fixture_start(&f, "null");
        EXPECT_INT(f.t.timer_at, T0 + 1000);
        const char *child = started_reloaded(&f);
        fixture_timer(&f, T0 + 1000);
        EXPECT_STATUS(f, "faulted");
        EXPECT_INT(f.t.message_count, 1);
        expect_cancel(&f, 0, child);
        fixture_close(&f);
    }
}

TEST(close, of_the_losers_of_a_race_cancels_their_children)
{
    fixture f;
    fixture_open(&f, "  - race:\n"
                     "      fork:\n"
                     "        compete: true\n"
                     "        branches:\n"
                     "          - a: { " SUB " }\n"
                     "          - b: { " SUB " }\n"
                     "          - c: { " SUB ", metadata: { pawl: { parentClose: leave } } }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.message_count, 3);
    const char *ids[3];
    for (size_t i = 0; i < 3; i++)
        ids[i] = fixture_text(&f, message(&f, i)->target);
    child_ended(&f, 3, ids[1], "\"b\"", NULL);
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "\"b\"");
    EXPECT_INT(f.t.message_count, 1);
    expect_cancel(&f, 0, ids[0]);
    fixture_close(&f);
}

TEST(close, a_fault_leaves_the_children_until_it_is_given_up)
{
    fixture f;
    fixture_open(&f, "  - both:\n"
                     "      fork:\n"
                     "        branches:\n"
                     "          - a: { " SUB " }\n"
                     "          - b: { " SUB " }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.message_count, 2);
    const char *ids[2] = { fixture_text(&f, message(&f, 0)->target),
                           fixture_text(&f, message(&f, 1)->target) };
    child_ended(&f, 2, ids[0], NULL, "{\"type\":\"urn:x\",\"status\":500}");
    EXPECT_STATUS(f, "faulted");
    EXPECT_INT(f.t.message_count, 0);
    EXPECT_INT(f.t.bookmark_end_count, 1);
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_FAIL, "ann", "no use");
    EXPECT_INT(f.t.message_count, 1);
    expect_cancel(&f, 0, ids[1]);
    EXPECT_INT(f.t.bookmark_end_count, 1);
    fixture_close(&f);

    fixture_open(&f, "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\n"
                     "timeout: { after: PT1S }\n"
                     "do: [ { a: { " SUB " } } ]\n");
    fixture_start(&f, "null");
    const char *child = started_reloaded(&f);
    fixture_timer(&f, T0 + 1000);
    EXPECT_STATUS(f, "faulted");
    EXPECT_INT(f.t.message_count, 0);
    fixture_command(&f, PW_EVENT_CANCEL, "ann", "");
    EXPECT_INT(f.t.message_count, 1);
    expect_cancel(&f, 0, child);
    fixture_close(&f);
}

/* What was not committed is not started at all. */
TEST(close, in_the_step_of_the_start_takes_the_start_back)
{
    fixture f;
    fixture_open(&f, "  - race:\n"
                     "      fork:\n"
                     "        compete: true\n"
                     "        branches:\n"
                     "          - a: { " SUB " }\n"
                     "          - b: { " SUB " }\n"
                     "          - c: { set: { won: c } }\n");
    fixture_start(&f, "null");
    EXPECT_STATUS(f, "completed");
    EXPECT_INT(f.t.message_count, 0);
    EXPECT_INT(f.t.bookmark_count, 0);
    EXPECT_INT(f.t.bookmark_end_count, 0);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ the child */

TEST(told, the_parent_hears_of_the_output)
{
    fixture f;
    fixture_open(&f, "  - w: { wait: PT1S }\n  - s: { set: { x: 1 } }\n");
    start_as_child(&f, 1);
    EXPECT_INT(f.t.message_count, 0);
    fixture_reload(&f);
    fixture_timer(&f, T0 + 1000);
    EXPECT_STATUS(f, "completed");
    EXPECT_INT(f.t.message_count, 1);
    EXPECT_STR(message(&f, 0)->target, "p1");
    EXPECT_STR(message(&f, 0)->kind, "child-ended");
    EXPECT_STR(message(&f, 0)->dedupe_key, "child-i1");
    EXPECT_TEXT(fixture_text(&f, message(&f, 0)->payload),
                "{\"visit\":5,\"child\":\"i1\",\"output\":{\"x\":1}}");
    fixture_close(&f);
}

TEST(told, the_parent_hears_of_a_child_that_ends_in_its_first_step)
{
    fixture f;
    fixture_open(&f, "  - s: { set: { x: 1 } }\n");
    start_as_child(&f, 1);
    EXPECT_STATUS(f, "completed");
    EXPECT_INT(f.t.message_count, 1);
    EXPECT_TEXT(payload(&f, 0, "output"), "{\"x\":1}");
    fixture_close(&f);
}

TEST(told, the_parent_hears_of_a_fault_and_of_nothing_after_it)
{
    fixture f;
    fixture_open(&f, "  - r: { raise: { error: { type: 'urn:x', status: 418 } } }\n");
    start_as_child(&f, 1);
    EXPECT_STATUS(f, "faulted");
    EXPECT_INT(f.t.message_count, 1);
    EXPECT_TEXT(payload(&f, 0, "output"), "(absent)");
    EXPECT_TEXT(payload(&f, 0, "error"),
                "{\"type\":\"urn:x\",\"status\":418,\"instance\":\"/do/0/r\"}");
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_CANCEL, "ann", "");
    EXPECT_STATUS(f, "cancelled");
    EXPECT_INT(f.t.message_count, 0);
    fixture_close(&f);
}

TEST(told, the_parent_hears_of_a_cancel_by_others_and_not_of_its_own)
{
    static const struct {
        const char *parent;
        size_t messages;
    } rows[] = { { "", 1 }, { "p2", 1 }, { "p1", 0 } };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        fixture_open(&f, "  - w: { wait: PT1S }\n");
        start_as_child(&f, 1);
        fixture_reload(&f);
        pw_event event = { .kind = PW_EVENT_CANCEL, .now_ms = T0 };
        event.actor = PW_LIT("ann");
        event.reason = PW_LIT("too late");
        event.parent = pw_str_of(rows[i].parent);
        fixture_event(&f, &event);
        EXPECT_STATUS(f, "cancelled");
        EXPECT_INT(f.t.message_count, rows[i].messages);
        if (rows[i].messages) {
            const char *error = payload(&f, 0, "error");
            EXPECT_CONTAINS(fixture_member(&f, error, "type"), "errors/runtime");
            EXPECT_TEXT(fixture_member(&f, error, "status"), "500");
            EXPECT_TEXT(fixture_member(&f, error, "title"), "the child workflow was cancelled");
            EXPECT_TEXT(fixture_member(&f, error, "detail"),
                        "instance i1 was cancelled by 'ann': too late");
        }
        fixture_close(&f);
    }
}

TEST(told, nobody_hears_of_one_without_a_parent)
{
    fixture f;
    fixture_open(&f, "  - s: { set: { x: 1 } }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.message_count, 0);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ the stored state */

TEST(stored, what_cannot_be_is_corrupt)
{
    static const struct {
        const char *what, *by;
    } rows[] = {
        { "\"pv\":5", "\"pv\":0" },   { "\"pv\":5,", "" },         { "\"pa\":\"p1\",", "" },
        { "\"dp\":63", "\"dp\":65" }, { "\"dp\":63", "\"dp\":0" }, { "\"dp\":63", "\"dp\":\"1\"" },
        { "\"k\":\"", "\"k\":\"x" },  { "\"p\":11", "\"p\":7" },   { "\"t\":0", "\"t\":1" },
    };
    fixture f;
    fixture_open(&f, "  - a: { " SUB " }\n"
                     "  - b: { run: { workflow: { namespace: shop, name: pack, version: 1.0.0 },\n"
                     "                await: false } }\n");
    start_as_child(&f, 63);
    const char *text = fixture_text(&f, f.t.state_text);
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        char changed[2000];
        const char *what = rows[i].what, *at = strstr(text, what);
        if (!at)
            fail_msg("no %s in %s", what, text);
        (void)snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, rows[i].by,
                       at + strlen(what));
        pw_state *state = NULL;
        pawl_error err;
        if (pw_state_parse(&state, pw_str_of(changed), f.program, NULL, &f.arena, &err) !=
            PAWL_CORRUPT)
            fail_msg("read: %s", changed);
    }
    fixture_close(&f);
}

TEST(stored, parent_and_depth_survive_a_copy)
{
    fixture f;
    fixture_open(&f, "  - a: { " SUB " }\n");
    start_as_child(&f, 3);
    fixture_reload(&f);
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_state *copy;
    pawl_error err;
    EXPECT_OK(pw_state_copy(&copy, f.state, &arena, &err), err);
    EXPECT_STR(copy->parent, "p1");
    EXPECT(copy->parent.ptr != f.state->parent.ptr);
    EXPECT_INT(copy->parent_visit, 5);
    EXPECT_INT(copy->depth, 3);
    pw_arena_done(&arena);
    fixture_close(&f);
}

TEST_MAIN()
