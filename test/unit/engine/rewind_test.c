/* rewind_test.c - going back to an earlier step, and beginning another instance there, by the library on SQLite. */
#include <limits.h>
#include "fixture.h"

static const pawl_request by_ann = { .struct_size = sizeof by_ann, .actor = "ann" };

static pawl_code rewind_with(fixture *f, const pawl_act_options *what, char **out)
{
    pawl_act_options options = *what;
    options.struct_size = sizeof options;
    options.action = PAWL_REWIND;
    options.reason = "once more";
    return pawl_act(f->p, &options, &by_ann, out, &f->err);
}

/* Until it waits for a person or has ended. */
static char *settled(fixture *f, const char *id)
{
    char *text = NULL;
    EXPECT_OK(pawl_wait(f->p, id, PAWL_WAIT_SETTLED, WAIT_MS, &text, &f->err), f->err);
    return text;
}

static void expect_settled(fixture *f, const char *id, const char *question, const char *answer)
{
    char *text = settled(f, id);
    EXPECT_ASK(text, question, answer);
    pawl_free(text);
}

static void expect_log(fixture *f, const char *id, const char *question, const char *answer)
{
    char *text = steps(f, id);
    EXPECT_ASK(text, question, answer);
    pawl_free(text);
}

static void answer(fixture *f, const char *id, const char *key, const char *data)
{
    EXPECT_OK(pawl_resume(f->p, id, key, data, "bob", &f->err), f->err);
}

static const char asking[] =
    "  - first: { call: echo, with: { n: '${ .n }' }, output: { as: '${ { n: .n, seen: [ .n ] } }' } }\n"
    "  - ask: { call: userTask, with: { key: ask }, output: { as: '${ $input + { said: .value } }' } }\n"
    "  - second: { call: echo, with: { n: 2 }, output: { as: '${ $input + { second: .n } }' } }\n";

TEST(rewind, a_completed_instance_goes_on_from_behind_a_step)
{
    fixture f;
    char *out = NULL;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "asking", asking);
    char *id = start(&f, "asking", "{\"n\":7}");
    expect_settled(&f, id, ".status", "\"waiting\"");
    answer(&f, id, "ask", "\"yes\"");
    expect_settled(&f, id, "[.status, .output]",
                   "[\"completed\",{\"n\":7,\"seen\":[7],\"said\":\"yes\",\"second\":2}]");
    EXPECT_OK(rewind_with(&f, &(pawl_act_options){ .id = id, .step = 2 }, &out), f.err);
    EXPECT_ASK(out, "[.token, .status, .repeated, [.done[] | [.kind, .what, .state]]]",
               "[5,\"waiting\",false,[[\"user-action\",\"ask\",\"done\"],[\"job\",\"echo\",\"done\"]]]");
    pawl_free(out);
    expect_settled(&f, id, "[.status, .output, .waits[0].key]", "[\"waiting\",null,\"ask\"]");
    expect_log(&f, id, ".steps[4] | [.event, .actor, (.entries[0] | [.type, .by, .reason, .step])]",
               "[\"rewind\",\"ann\",[\"instance.rewound\",\"ann\",\"once more\",2]]");
    fixture_close(&f); /* what it was before is not in memory any more */
    fixture_open(&f);
    answer(&f, id, "ask", "\"no\"");
    expect_settled(&f, id, "[.status, .output.said, .output.second]", "[\"completed\",\"no\",2]");
    /* a second time, over the first: the log has the way there */
    EXPECT_OK(rewind_with(&f, &(pawl_act_options){ .id = id, .step = 6 }, NULL), f.err);
    expect_settled(&f, id, "[.status, .output.said, .output.second]", "[\"completed\",\"no\",2]");
    expect_log(&f, id, "[[.steps[].sequence] == [range(1; 10)], ([.steps[].entries[] | select(.type == \"task.started\" "
                       "and .task == \"/do/2/second\") | .visit] | [length, (unique | length)])]",
               "[true,[3,3]]");
    EXPECT_INT(rewind_with(&f, &(pawl_act_options){ .id = id, .step = 4 }, NULL), PAWL_STATE);
    EXPECT_TEXT(f.err.message, "it cannot go back there: the instance had ended; give an earlier step");
    EXPECT_INT(rewind_with(&f, &(pawl_act_options){ .id = id, .step = 99 }, NULL), PAWL_NOT_FOUND);
    EXPECT_CONTAINS(f.err.message, "there is no step 99: the log of the instance ends with step 9");
    pawl_free(id);
    fixture_close(&f);
    fixture_done(&f);
}

/* What is done again is done anew, also by a process that has read the instance from the store. */
TEST(rewind, what_follows_has_new_keys_after_a_restart)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    gate_open(&f.gate, UINT_MAX);
    deploy(&f, "keys",
           "  - ask: { call: userTask, with: { key: ask }, output: { as: '${ $input }' } }\n"
           "  - do: { call: gate, with: { n: 1 }, output: { as: .key } }\n");
    char *id = start(&f, "keys", "{}");
    expect_settled(&f, id, ".status", "\"waiting\"");
    answer(&f, id, "ask", "1");
    char *first = settled(&f, id), key[64];
    (void)snprintf(key, sizeof key, "%s", ask(first, ".output"));
    EXPECT_OK(rewind_with(&f, &(pawl_act_options){ .id = id, .step = 1 }, NULL), f.err);
    expect_settled(&f, id, ".status", "\"waiting\"");
    fixture_close(&f);
    fixture_open(&f);
    answer(&f, id, "ask", "1");
    char *second = settled(&f, id);
    EXPECT_ASK(second, ".status", "\"completed\"");
    EXPECT(strlen(key) > 10 && strcmp(ask(second, ".output"), key) != 0);
    pawl_free(first);
    pawl_free(second);
    pawl_free(id);
    fixture_close(&f);
    fixture_done(&f);
}

TEST(rewind, before_a_visit_another_input_is_given)
{
    fixture f;
    char *out = NULL;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "asking", asking);
    char *id = start(&f, "asking", "{\"n\":7}");
    expect_settled(&f, id, ".status", "\"waiting\"");
    answer(&f, id, "ask", "\"yes\"");
    expect_settled(&f, id, ".status", "\"completed\"");
    const pawl_act_options again = { .id = id, .visit = 2, .input = "{\"n\":8,\"by\":\"hand\"}" };
    pawl_act_options dry = again;
    dry.dry_run = 1;
    EXPECT_OK(rewind_with(&f, &dry, &out), f.err);
    EXPECT_ASK(out, "[.dryRun, .status, [.bookmarks[].key], (.done | length)]", "[true,\"waiting\",[\"ask\"],2]");
    pawl_free(out);
    expect_settled(&f, id, "[.status, .token]", "[\"completed\",4]");
    EXPECT_OK(rewind_with(&f, &again, NULL), f.err);
    expect_settled(&f, id, ".status", "\"waiting\"");
    answer(&f, id, "ask", "\"yes\"");
    expect_settled(&f, id, "[.status, .output]", "[\"completed\",{\"n\":8,\"by\":\"hand\",\"said\":\"yes\",\"second\":2}]");
    EXPECT_INT(rewind_with(&f, &(pawl_act_options){ .id = id, .visit = 77 }, NULL), PAWL_NOT_FOUND);
    EXPECT_CONTAINS(f.err.message, "no task of the visit 77 has begun in the instance");
    EXPECT_INT(rewind_with(&f, &(pawl_act_options){ .id = id, .step = 1, .input = "{}" }, NULL), PAWL_INVALID);
    pawl_free(id);
    fixture_close(&f);
    fixture_done(&f);
}

TEST(rewind, in_the_middle_of_a_loop_and_of_a_fork)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "loop",
           "  - each:\n"
           "      for: { in: '${ [1,2,3] }' }\n"
           "      do:\n"
           "        - both:\n"
           "            fork:\n"
           "              branches:\n"
           "                - a: { call: echo, with: { v: '${ $item * 10 }' }, output: { as: .v } }\n"
           "                - b: { call: userTask, with: { key: '${ \"k\" + ($item | tostring) }' }, output: { as: .value } }\n");
    char *id = start(&f, "loop", "null");
    for (int i = 1; i <= 3; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "k%d", i);
        expect_settled(&f, id, "[.waits[] | .key // empty] | length", "1");
        answer(&f, id, key, "\"one\"");
    }
    expect_settled(&f, id, "[.status, .output]", "[\"completed\",[30,\"one\"]]");
    /* step 4: of the second item, a is done and b waits */
    expect_log(&f, id, "[.steps[].event]",
               "[\"start\",\"activity-result\",\"resume\",\"activity-result\",\"resume\",\"activity-result\",\"resume\"]");
    EXPECT_OK(rewind_with(&f, &(pawl_act_options){ .id = id, .step = 4 }, NULL), f.err);
    expect_settled(&f, id, "[.status, [.waits[] | .key]]", "[\"waiting\",[\"k2\"]]");
    answer(&f, id, "k2", "\"two\"");
    expect_settled(&f, id, "[.status, [.waits[] | .key]]", "[\"waiting\",[\"k3\"]]");
    answer(&f, id, "k3", "\"three\"");
    expect_settled(&f, id, "[.status, .output]", "[\"completed\",[30,\"three\"]]");
    pawl_free(id);
    fixture_close(&f);
    fixture_done(&f);
}

TEST(rewind, what_is_in_flight_is_let_go_of_if_that_is_known)
{
    fixture f;
    char *out = NULL;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "held", "  - one: { call: echo, with: {} }\n  - two: { call: gate, with: {} }\n");
    char *id = start(&f, "held", "null");
    gate_wait_entered(&f.gate, 1);
    EXPECT_INT(rewind_with(&f, &(pawl_act_options){ .id = id, .step = 1 }, NULL), PAWL_STATE);
    EXPECT_INT(f.err.reason, PAWL_REASON_UNKNOWN_OUTCOME);
    EXPECT_OK(rewind_with(&f, &(pawl_act_options){ .id = id, .step = 1, .confirmed = 1 }, &out), f.err);
    EXPECT_ASK(out, "[.done[] | [.what, .state]]", "[[\"gate\",\"pending\"]]");
    pawl_free(out);
    gate_open(&f.gate, UINT_MAX);
    expect_settled(&f, id, ".status", "\"completed\"");
    EXPECT_OK(pawl_effects(f.p, id, 0, 0, &out, &f.err), f.err);
    EXPECT_ASK(out, "[.effects[] | [.what, .state]]",
               "[[\"echo\",\"done\"],[\"gate\",\"abandoned\"],[\"echo\",\"done\"],[\"gate\",\"done\"]]");
    pawl_free(out);
    EXPECT_OK(pawl_effects(f.p, id, 0, 1, &out, &f.err), f.err);
    EXPECT_ASK(out, "[(.effects | length), .next]", "[1,1]");
    pawl_free(out);
    EXPECT_OK(pawl_effects(f.p, id, 1, 100, &out, &f.err), f.err);
    EXPECT_ASK(out, "[(.effects | length), .next]", "[3,null]");
    pawl_free(out);
    EXPECT(strcmp(f.gate.keys[0], f.gate.keys[1]) != 0); /* done anew, under another key */
    pawl_free(id);
    fixture_close(&f);
    fixture_done(&f);
}

TEST(rewind, another_instance_begins_there_and_the_first_stays_as_it_is)
{
    fixture f;
    char *out = NULL, *other = NULL;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "asking", asking);
    char *id = start(&f, "asking", "{\"n\":7}");
    expect_settled(&f, id, ".status", "\"waiting\"");
    answer(&f, id, "ask", "\"yes\"");
    expect_settled(&f, id, ".status", "\"completed\"");
    const pawl_fork_options options = { .struct_size = sizeof options, .id = id, .step = 2, .key = "again" };
    EXPECT_OK(pawl_fork(f.p, &options, &by_ann, &out, &f.err), f.err);
    EXPECT_ASK(out, "[.step, (.done | length), (.from != .id)]", "[2,2,true]");
    other = pw_strdup(pw_str_of(ask(out, ".id") + 1));
    other[strlen(other) - 1] = '\0';
    pawl_free(out);
    expect_settled(&f, other, "[.status, .waits[0].key, .token]", "[\"waiting\",\"ask\",1]");
    answer(&f, other, "ask", "\"later\"");
    expect_settled(&f, other, "[.status, .output.said, .output.seen]", "[\"completed\",\"later\",[7]]");
    expect_settled(&f, id, "[.status, .output.said, .token]", "[\"completed\",\"yes\",4]");
    /* the fork can go back, too: its log begins with the state that it was made of */
    EXPECT_OK(rewind_with(&f, &(pawl_act_options){ .id = other, .step = 1 }, NULL), f.err);
    expect_settled(&f, other, "[.status, .waits[0].key]", "[\"waiting\",\"ask\"]");
    pw_free(other);
    /* where it cannot begin, the dry run says so as well */
    for (int dry = 0; dry < 2; dry++) {
        const pawl_fork_options ended = { .struct_size = sizeof ended, .id = id, .step = 4, .dry_run = dry };
        EXPECT_INT(pawl_fork(f.p, &ended, &by_ann, NULL, &f.err), PAWL_STATE);
        EXPECT_CONTAINS(f.err.message, "it cannot go back there: the instance had ended; give an earlier step");
    }
    pawl_free(id);
    fixture_close(&f);
    fixture_done(&f);
}

TEST(rewind, an_incident_is_over_when_the_instance_goes_back)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "bad", "  - ask: { call: userTask, with: { key: ask }, output: { as: .value } }\n"
                      "  - work: { if: '${ . == \"bad\" }', call: failing, with: {} }\n");
    char *id = start(&f, "bad", "null");
    expect_settled(&f, id, ".status", "\"waiting\"");
    answer(&f, id, "ask", "\"bad\"");
    expect_settled(&f, id, ".status", "\"faulted\"");
    EXPECT_OK(rewind_with(&f, &(pawl_act_options){ .id = id, .step = 1 }, NULL), f.err);
    expect_settled(&f, id, ".status", "\"waiting\"");
    answer(&f, id, "ask", "\"good\"");
    expect_settled(&f, id, "[.status, .output]", "[\"completed\",\"good\"]");
    char *incident = NULL;
    const pawl_incidents_options all = { .struct_size = sizeof all, .all = 1 };
    EXPECT_OK(pawl_incidents(f.p, &all, &incident, &f.err), f.err);
    EXPECT_ASK(incident, "[.incidents[] | [.open, .resolution, .resolvedBy]]", "[[false,\"rewound\",\"ann\"]]");
    pawl_free(incident);
    pawl_free(id);
    fixture_close(&f);
    fixture_done(&f);
}

TEST_MAIN()
