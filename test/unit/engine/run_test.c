/* run_test.c - instances run: functions, people, commands, timers. */
#include <limits.h>
#include "fixture.h"

static const char approval[] =
    "  - ask: {call: userTask, with: {key: ok, title: Approve, assignedTo: ann}}";
static const char gated[] = "  - work: {call: gate, with: {}}";

TEST(engine, a_workflow_of_pure_tasks_ends_in_its_first_step)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "greet", "  - hello: {set: {greeting: \"${ \\\"hello \\\" + .name }\"}}");
    char *id = start(&f, "test/greet", "{\"name\":\"ann\"}");
    char *text = finish(&f, id);
    EXPECT_ASK(text, ".status", "\"completed\"");
    EXPECT_ASK(text, ".output", "{\"greeting\":\"hello ann\"}");
    EXPECT_ASK(text, "[.id, .namespace, .name, .version, .token, .input, .waits] | .[1:]",
               "[\"test\",\"greet\",\"1.0.0\",1,{\"name\":\"ann\"},[]]");
    pawl_free(text);
    text = steps(&f, id);
    EXPECT_ASK(text, "[.steps[] | [.sequence, .event, .actor]]", "[[1,\"start\",\"system\"]]");
    EXPECT_ASK(text, "has(\"next\")", "false");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

TEST(engine, a_function_is_called_and_its_result_goes_on)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "echo",
           "  - one: {call: echo, with: {n: 12345678901234567890}}\n"
           "  - two: {call: echo, with: {got: \"${ .n }\"}}");
    char *id = start(&f, "echo", NULL);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output.got]", "[\"completed\",12345678901234567890]");
    EXPECT_ASK(text, ".token", "3");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

/* One shard: what an expression does, all its instances wait for. */
TEST(engine, a_hostile_expression_faults_its_instance_and_the_others_go_on)
{
    static const struct {
        const char *name, *expression, *limit;
    } hostile[] = {
        { "endless", "def f: f; f", "fuel limit reached" },
        { "large", "[range(1e12)]", "memory limit reached" },
        { "deep", "def f: 1 + f; f", "depth limit reached" },
        { "regex", "\"\\(\"a\" * 40)\" | test(\"(a+)+$b\")", "fuel limit reached" },
        { "run", "(\"a\" * 1e5 + \"\\nb\") | test(\"a.*b\")", "fuel limit reached" },
        { "text", "\"x\" * 1e9", "memory limit reached" },
    };
    fixture f;
    fixture_init(&f, "memory:");
    f.options.step_threads = 1;
    f.options.expression_fuel = 2000000;
    f.options.expression_memory = 8 << 20;
    fixture_open(&f);
    deploy(&f, "good", "  - one: {set: {n: '${ [range(.n)] | add }'}}\n"
                       "  - two: {call: echo, with: {n: '${ .n }'}}");
    char *good[PW_LENGTH(hostile)], *bad[PW_LENGTH(hostile)];
    for (size_t i = 0; i < PW_LENGTH(hostile); i++) {
        char body[300];
        (void)snprintf(body, sizeof body, "  - one: {set: {n: '${ %s }'}}", hostile[i].expression);
        deploy(&f, hostile[i].name, body);
        bad[i] = start(&f, hostile[i].name, NULL);
        good[i] = start(&f, "good", "{\"n\": 100}");
    }
    for (size_t i = 0; i < PW_LENGTH(hostile); i++) {
        char *text = finish(&f, bad[i]);
        EXPECT_ASK(text, ".status", "\"faulted\"");
        EXPECT_CONTAINS(ask(text, ".error | tojson"), hostile[i].limit);
        EXPECT_CONTAINS(ask(text, ".error | tojson"), "errors/expression");
        pawl_free(text);
        text = finish(&f, good[i]);
        EXPECT_ASK(text, "[.status, .output.n]", "[\"completed\",4950]");
        pawl_free(text);
        pawl_free(bad[i]);
        pawl_free(good[i]);
    }
    fixture_done(&f);
}

TEST(engine, the_error_of_a_function_faults_the_instance)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "failing", "  - work: {call: failing, with: {}}");
    char *id = start(&f, "failing", NULL);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .error.status, .error.title]", "[\"faulted\",422,\"no luck\"]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ start */

typedef struct starters {
    fixture *f;
    char *ids[8];
    int existed[8];
    pawl_code codes[8];
} starters;

static void start_same(void *context, unsigned number)
{
    starters *s = context;
    const pawl_start_options options = {
        .struct_size = sizeof options, .name = "ask", .key = "order-1", .input = "{\"a\":1}"
    };
    s->codes[number] = pawl_start(s->f->p, &options, &s->ids[number], &s->existed[number], NULL);
}

TEST(engine, eight_starts_with_one_key_make_one_instance)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "ask", approval);
    starters s = { .f = &f };
    crew_run(8, start_same, &s);
    int made = 0;
    for (int i = 0; i < 8; i++) {
        EXPECT_INT(s.codes[i], PAWL_OK);
        EXPECT_TEXT(s.ids[i], s.ids[0]);
        made += !s.existed[i];
    }
    EXPECT_INT(made, 1);
    char *text = NULL;
    EXPECT_OK(pawl_list(f.p, NULL, &text, &f.err), f.err);
    EXPECT_ASK(text, "[.instances[] | [.key, .status, .token]]", "[[\"order-1\",\"waiting\",1]]");
    pawl_free(text);
    for (int i = 0; i < 8; i++)
        pawl_free(s.ids[i]);
    fixture_done(&f);
}

TEST(engine, a_key_used_again_with_other_input_is_refused)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "ask", approval);
    int existed = -1;
    char *first = start_key(&f, "ask", "k", "{\"a\":1,\"b\":2}", &existed);
    EXPECT_INT(existed, 0);
    char *second = start_key(&f, "ask", "k", " {\"b\":2.0, \"a\":1}", &existed);
    EXPECT_INT(existed, 1);
    EXPECT_TEXT(second, first);
    char *third = NULL;
    pawl_start_options options = {
        .struct_size = sizeof options, .name = "ask", .key = "k", .input = "{\"a\":2}"
    };
    EXPECT_INT(pawl_start(f.p, &options, &third, &existed, &f.err), PAWL_CONFLICT);
    EXPECT(third == NULL);
    EXPECT_CONTAINS(f.err.message, "the key 'k' was used before, with another input, by instance ");
    /* the same after the instance was forgotten: in another process */
    fixture_close(&f);
    fixture_open(&f);
    EXPECT_INT(pawl_start(f.p, &options, &third, &existed, &f.err), PAWL_CONFLICT);
    options.input = "{\"a\":1,\"b\":2}";
    EXPECT_OK(pawl_start(f.p, &options, &third, &existed, &f.err), f.err);
    EXPECT_TEXT(third, first);
    EXPECT_INT(existed, 1);
    pawl_free(first);
    pawl_free(second);
    pawl_free(third);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ resume */

typedef struct resumers {
    fixture *f;
    const char *id;
    const char *data[2];
    pawl_code codes[8];
} resumers;

static void resume_one(void *context, unsigned number)
{
    resumers *r = context;
    r->codes[number] = pawl_resume(r->f->p, r->id, "ok", r->data[number % 2], "ann", NULL);
}

TEST(engine, a_bookmark_resumed_twice_at_once_has_one_effect)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "ask", approval);
    char *id = start(&f, "ask", NULL);
    resumers r = { .f = &f, .id = id, .data = { "{\"yes\":true}", "{\"yes\":true}" } };
    crew_run(2, resume_one, &r);
    EXPECT_INT(r.codes[0], PAWL_OK);
    EXPECT_INT(r.codes[1], PAWL_OK);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .token, .output.yes, .output.completedBy]",
               "[\"completed\",2,true,\"ann\"]");
    pawl_free(text);
    EXPECT_OK(pawl_resume(f.p, id, "ok", "{ \"yes\": true }", "bob", &f.err), f.err);
    EXPECT_INT(pawl_resume(f.p, id, "ok", "{\"yes\":false}", "bob", &f.err), PAWL_CONFLICT);
    EXPECT_CONTAINS(f.err.message, "'ok' was answered before by 'ann', with other data");
    EXPECT_INT(pawl_resume(f.p, id, "other", NULL, NULL, &f.err), PAWL_STATE);
    pawl_free(id);
    fixture_done(&f);
}

TEST(engine, two_different_answers_at_once_are_one_effect_and_one_conflict)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "ask", approval);
    for (int i = 0; i < 20; i++) {
        char *id = start(&f, "ask", NULL);
        resumers r = { .f = &f, .id = id, .data = { "{\"n\":0}", "{\"n\":1}" } };
        crew_run(2, resume_one, &r);
        EXPECT_INT(r.codes[0] + r.codes[1], PAWL_CONFLICT); /* the other is PAWL_OK, 0 */
        char *text = finish(&f, id);
        EXPECT_ASK(text, ".output.n", r.codes[0] == PAWL_OK ? "0" : "1");
        pawl_free(text);
        pawl_free(id);
    }
    fixture_done(&f);
}

static void resume_own(void *context, unsigned number)
{
    resumers *r = context;
    char key[8];
    (void)snprintf(key, sizeof key, "k%u", number);
    r->codes[number] = pawl_resume(r->f->p, r->id, key, "{}", "ann", NULL);
}

TEST(engine, answers_to_many_bookmarks_at_once_are_all_kept)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "many",
           "  - all: {fork: {branches: [{a: {call: userTask, with: {key: k0}}}, {b: {call: "
           "userTask, with: "
           "{key: k1}}}, {c: {call: userTask, with: {key: k2}}}, {d: {call: userTask, with: {key: "
           "k3}}}]}}");
    char *id = start(&f, "many", NULL);
    resumers r = { .f = &f, .id = id };
    crew_run(4, resume_own, &r);
    for (int i = 0; i < 4; i++)
        EXPECT_INT(r.codes[i], PAWL_OK);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .token, ([.output[].completedBy] | unique)]",
               "[\"completed\",5,[\"ann\"]]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ cancel, suspend, continue */

TEST(engine, cancel_suspend_and_continue_have_their_effect_once)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "ask", approval);
    char *id = start(&f, "ask", NULL);
    EXPECT_OK(pawl_continue(f.p, id, "ann", NULL, &f.err), f.err); /* it is not suspended */
    EXPECT_OK(pawl_suspend(f.p, id, "ann", "look first", &f.err), f.err);
    EXPECT_OK(pawl_suspend(f.p, id, "ann", "look first", &f.err), f.err);
    char *text = NULL;
    EXPECT_OK(pawl_wait(f.p, id, PAWL_WAIT_SETTLED, 0, &text, &f.err), f.err);
    EXPECT_ASK(text, "[.status, .token]", "[\"suspended\",2]");
    EXPECT_ASK(text, "[.waits[] | .reason // empty]", "[\"suspended by ann: look first\"]");
    pawl_free(text);
    EXPECT_OK(pawl_continue(f.p, id, "ann", NULL, &f.err), f.err);
    EXPECT_OK(pawl_cancel(f.p, id, "ann", "not needed", &f.err), f.err);
    EXPECT_OK(pawl_cancel(f.p, id, "ann", "not needed", &f.err), f.err);
    text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .token]", "[\"cancelled\",4]");
    pawl_free(text);
    EXPECT_INT(pawl_suspend(f.p, id, "ann", NULL, &f.err), PAWL_STATE);
    EXPECT_INT(pawl_continue(f.p, id, "ann", NULL, &f.err), PAWL_STATE);
    EXPECT_INT(pawl_resume(f.p, id, "ok", NULL, NULL, &f.err), PAWL_STATE);
    text = steps(&f, id);
    EXPECT_ASK(text, "[.steps[].event]", "[\"start\",\"suspend\",\"continue\",\"cancel\"]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

TEST(engine, a_result_that_comes_while_suspended_is_kept_and_used_later)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "gated", gated);
    char *id = start(&f, "gated", NULL);
    gate_wait_entered(&f.gate, 1);
    EXPECT_OK(pawl_suspend(f.p, id, "ann", NULL, &f.err), f.err);
    gate_open(&f.gate, 1);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    char *text = show(&f, id);
    EXPECT_ASK(text, "[.status, .token]", "[\"suspended\",3]"); /* start, suspend, the result */
    pawl_free(text);
    EXPECT_OK(pawl_continue(f.p, id, "ann", NULL, &f.err), f.err);
    text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .token, .output.attempt]", "[\"completed\",4,1]");
    EXPECT_INT(gate_entered(&f.gate), 1);
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

TEST(engine, cancelling_an_instance_cancels_its_function)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "gated", gated);
    char *id = start(&f, "gated", NULL);
    gate_wait_entered(&f.gate, 1);
    EXPECT_OK(pawl_cancel(f.p, id, "ann", NULL, &f.err), f.err);
    fixture_close(&f); /* waits for the function, which ends because it is cancelled */
    EXPECT_INT(f.gate.left, 1);
    fixture_open(&f);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    char *text = finish(&f, id);
    EXPECT_ASK(text, ".status", "\"cancelled\"");
    EXPECT_INT(gate_entered(&f.gate), 1);
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ functions */

TEST(engine, a_function_registered_later_is_called_then)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "gated", gated);
    char *early = start_key(&f, "gated", "early", NULL, NULL);
    gate_wait_entered(&f.gate, 1);
    fixture_close(&f);
    f.options.activity_count = 0;
    fixture_open(&f);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    char *late = start_key(&f, "gated", "late", NULL, NULL);
    char *text = NULL;
    EXPECT_OK(pawl_wait(f.p, late, PAWL_WAIT_SETTLED, WAIT_MS, &text, &f.err), f.err);
    EXPECT_ASK(text, "[.waits[] | [.kind, .reason]]",
               "[[\"activity\",\"no worker polls for 'gate'\"]]");
    pawl_free(text);
    gate_open(&f.gate, UINT_MAX);
    EXPECT_OK(pawl_register(f.p, &f.activities[0], &f.err), f.err);
    EXPECT_INT(pawl_register(f.p, &f.activities[0], &f.err), PAWL_CONFLICT);
    text = finish(&f, late);
    EXPECT_ASK(text, "[.status, .output.attempt]", "[\"completed\",1]");
    pawl_free(text);
    text = finish(&f, early); /* its first attempt was lost with the first process */
    EXPECT_ASK(text, "[.status, .output.attempt]", "[\"completed\",2]");
    pawl_free(text);
    pawl_free(early);
    pawl_free(late);
    fixture_done(&f);
}

typedef struct warnings {
    int count;
    char last[512];
} warnings;

static void count_warning(void *context, const pawl_finding *finding)
{
    warnings *w = context;
    w->count++;
    (void)snprintf(w->last, sizeof w->last, "%d %s %d %s %s", finding->is_error, finding->code, finding->line,
                   finding->pointer, finding->message);
}

TEST(engine, a_function_that_nobody_registered_is_for_workers_and_deploy_says_so)
{
    fixture f;
    warnings w = { 0 };
    fixture_init(&f, "memory:");
    fixture_open(&f);
    static const char text[] = "document: {dsl: 1.0.0, namespace: test, name: x, version: 1.0.0}\n"
                               "do:\n"
                               "  - one: {call: echo, with: {}}\n"
                               "  - two: {call: unknown, with: {}}\n";
    EXPECT_OK(pawl_deploy(f.p, text, sizeof text - 1, count_warning, &w, NULL, &f.err), f.err);
    EXPECT_INT(w.count, 1);
    EXPECT_TEXT(w.last, "0 function-not-registered 4 /do/1/two function 'unknown' is not registered in this "
                        "process: workers must poll for it");
    fixture_done(&f);
}

TEST(engine, a_slow_function_does_not_delay_others)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "gated", gated);
    deploy(&f, "echo", "  - one: {call: echo, with: {n: 1}}");
    char *slow = start(&f, "gated", NULL);
    gate_wait_entered(&f.gate, 1);
    for (int i = 0; i < 20; i++) {
        char *id = start(&f, "echo", NULL);
        char *text = finish(&f, id);
        EXPECT_ASK(text, ".output.n", "1");
        pawl_free(text);
        pawl_free(id);
    }
    char *text = show(&f, slow);
    EXPECT_ASK(text, ".status", "\"waiting\"");
    pawl_free(text);
    gate_open(&f.gate, 1);
    text = finish(&f, slow);
    EXPECT_ASK(text, ".status", "\"completed\"");
    pawl_free(text);
    pawl_free(slow);
    fixture_done(&f);
}

TEST(engine, a_thousand_instances_with_functions_all_end)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "echo",
           "  - one: {call: echo, with: {n: \"${ .n }\"}}\n"
           "  - two: {call: echo, with: {n: \"${ .n + 1 }\"}}");
    char *ids[1000];
    for (int i = 0; i < 1000; i++) {
        char input[32];
        (void)snprintf(input, sizeof input, "{\"n\":%d}", i);
        ids[i] = start(&f, "echo", input);
    }
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    for (int i = 0; i < 1000; i++) {
        char *text = show(&f, ids[i]), expected[48];
        (void)snprintf(expected, sizeof expected, "[\"completed\",3,%d]", i + 1);
        EXPECT_ASK(text, "[.status, .token, .output.n]", expected);
        pawl_free(text);
        pawl_free(ids[i]);
    }
    fixture_done(&f);
}

/* ------------------------------------------------------------------ timers */

TEST(engine, a_timer_follows_the_clock_it_was_given)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_clock(&f, 1000000);
    fixture_open(&f);
    deploy(&f, "sleep", "  - nap: {wait: {minutes: 10}}\n  - done: {set: {rested: true}}");
    char *id = start(&f, "sleep", NULL);
    char *text = NULL;
    EXPECT_OK(pawl_wait(f.p, id, PAWL_WAIT_IDLE, WAIT_MS, &text, &f.err), f.err);
    EXPECT_ASK(text, "[.status, .wakeAt]", "[\"waiting\",\"1970-01-01T00:26:40.000Z\"]");
    pawl_free(text);
    EXPECT_INT(pawl_wait(f.p, id, PAWL_WAIT_SETTLED, 0, NULL, &f.err), PAWL_TIMEOUT);
    fixture_clock(&f, 1000000 + 599999);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    EXPECT_INT(pawl_wait(f.p, id, PAWL_WAIT_END, 0, NULL, &f.err), PAWL_TIMEOUT);
    fixture_clock(&f, 1000000 + 600000);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    text = show(&f, id);
    EXPECT_ASK(text, "[.status, .output, .updatedAt]",
               "[\"completed\",{\"rested\":true},\"1970-01-01T00:26:40.000Z\"]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

TEST(engine, timers_beyond_the_window_are_read_when_their_window_comes)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_clock(&f, 1000000);
    fixture_open(&f);
    deploy(&f, "sleep", "  - nap: {wait: {seconds: \"${ .s }\"}}");
    char *near = start(&f, "sleep", "{\"s\":60}"), *far = start(&f, "sleep", "{\"s\":7200}");
    fixture_close(&f); /* neither is in memory */
    fixture_open(&f);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    EXPECT_INT(pawl_wait(f.p, near, PAWL_WAIT_END, 0, NULL, &f.err), PAWL_TIMEOUT);
    fixture_close(&f);
    fixture_open(&f);
    fixture_clock(&f, 1000000 + 60000);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    EXPECT_OK(pawl_wait(f.p, near, PAWL_WAIT_END, 0, NULL, &f.err), f.err);
    fixture_clock(&f, 1000000 + 7199999);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    char *text = show(&f, far);
    EXPECT_ASK(text, ".status", "\"waiting\"");
    pawl_free(text);
    fixture_clock(&f, 1000000 + 7200000);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    text = show(&f, far);
    EXPECT_ASK(text, ".status", "\"completed\"");
    pawl_free(text);
    pawl_free(near);
    pawl_free(far);
    fixture_done(&f);
}

TEST(engine, a_wait_that_is_not_over_in_time_says_so)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    deploy(&f, "gated", gated);
    char *id = start(&f, "ask", NULL), *busy = start(&f, "gated", NULL);
    EXPECT_INT(pawl_wait(f.p, id, PAWL_WAIT_END, 20, NULL, &f.err), PAWL_TIMEOUT);
    EXPECT_OK(pawl_wait(f.p, id, PAWL_WAIT_SETTLED, 20, NULL, &f.err), f.err);
    EXPECT_INT(pawl_wait(f.p, busy, PAWL_WAIT_IDLE, 20, NULL, &f.err), PAWL_TIMEOUT);
    EXPECT_INT(pawl_drain(f.p, 20, &f.err), PAWL_TIMEOUT);
    gate_open(&f.gate, 1);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    pawl_free(id);
    pawl_free(busy);
    fixture_done(&f);
}

static void wait_briefly(void *context, unsigned number)
{
    fixture *f = context;
    char key[32];
    pawl_error err;
    for (unsigned i = 0; i < 150; i++) {
        (void)snprintf(key, sizeof key, "%u-%u", number, i);
        char *id = start_key(f, "test/echo", key, NULL, NULL);
        pawl_code code = PAWL_TIMEOUT;
        for (unsigned turn = 0; code == PAWL_TIMEOUT && turn < WAIT_MS; turn++)
            code = pawl_wait(f->p, id, PAWL_WAIT_END, 1, NULL, &err);
        EXPECT_INT(code, PAWL_OK);
        pawl_free(id);
    }
}

/* A wait's memory is its caller's stack: nothing may look at it once the wait has returned. */
TEST(engine, waits_that_give_up_just_as_the_answer_comes_are_forgotten)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "echo", "  - one: {call: echo, with: {n: 1}}");
    crew_run(3, wait_briefly, &f);
    fixture_done(&f);
}

TEST_MAIN()
