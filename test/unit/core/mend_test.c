/* mend_test.c - what people do about an incident, in detail: what is logged, which keys calls have
 * then, where one can go to, what is closed by it, what fits, and what an edit changes. */
#include "fixture.h"

#define HEAD "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\n"
#define NEXT "  - n: { call: work, with: { got: '${ . }', c: '${ $context }' } }\n"
#define FAILS "{\"status\":418}"

static pw_value json(fixture *f, const char *text)
{
    pw_value v = { 0 };
    pawl_error err;
    if (text)
        EXPECT_OK(pw_json_parse(&v, pw_str_of(text), NULL, &f->arena, &err), err);
    return v;
}

static void start(fixture *f, const char *tasks)
{
    fixture_open(f, tasks);
    fixture_start(f, "{\"k\":1}");
    fixture_reload(f);
}

static pw_event event_of(fixture *f, pw_event_kind kind, const char *payload, const char *task)
{
    pw_event event = { .kind = kind, .now_ms = f->now_ms, .seed = 7 };
    event.actor = PW_LIT("ann");
    event.reason = PW_LIT("because");
    event.payload = json(f, payload);
    event.task = pw_str_of(task);
    return event;
}

static void act(fixture *f, pw_event_kind kind, const char *payload, const char *task)
{
    const pw_event event = event_of(f, kind, payload, task);
    fixture_event(f, &event);
    if (f->t.changed)
        fixture_reload(f);
}

static void confirmed(fixture *f, pw_event_kind kind, const char *payload, const char *task)
{
    pw_event event = event_of(f, kind, payload, task);
    event.confirmed = true;
    fixture_event(f, &event);
    if (f->t.changed)
        fixture_reload(f);
}

static void failed(fixture *f, uint64_t visit)
{
    fixture_failed(f, visit, 1, FAILS);
    fixture_reload(f);
}

/* ------------------------------------------------------------------ what is told */

TEST(told, actor_reason_and_what_was_given)
{
    static const struct {
        pw_event_kind kind;
        const char *payload, *task, *entry;
    } rows[] = {
        { PW_EVENT_RETRY, "{\"k\":2}", NULL,
          "{\"type\":\"instance.retried\",\"task\":\"/do/0/"
          "x\",\"visit\":1,\"by\":\"ann\",\"reason\":\"because\",\"input\":{\"k\":2}}" },
        { PW_EVENT_SKIP, NULL, NULL,
          "{\"type\":\"instance.skipped\",\"task\":\"/do/0/"
          "x\",\"visit\":1,\"by\":\"ann\",\"reason\":\"because\"}" },
        { PW_EVENT_SKIP, "null", NULL,
          "{\"type\":\"instance.skipped\",\"task\":\"/do/0/"
          "x\",\"visit\":1,\"by\":\"ann\",\"reason\":\"because\",\"output\":null}" },
        { PW_EVENT_GOTO, NULL, "/do/1/n",
          "{\"type\":\"instance.moved\",\"task\":\"/do/0/"
          "x\",\"visit\":1,\"by\":\"ann\",\"reason\":\"because\",\"from\":\"/do/0/x\","
          "\"to\":\"/do/1/n\"}" },
        { PW_EVENT_GOTO, "7", "/do/1/n",
          "{\"type\":\"instance.moved\",\"task\":\"/do/0/"
          "x\",\"visit\":1,\"by\":\"ann\",\"reason\":\"because\",\"from\":\"/do/0/x\","
          "\"to\":\"/do/1/n\",\"input\":7}" },
        { PW_EVENT_EDIT, "[{\"op\":\"add\",\"path\":\"/context\",\"value\":1}]", NULL,
          "{\"type\":\"instance.edited\",\"by\":\"ann\",\"reason\":\"because\",\"patch\":[{\"op\":"
          "\"add\",\"path\":\"/context\",\"value\":1}]}" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        start(&f, "  - x: { call: work }\n" NEXT);
        failed(&f, 1);
        act(&f, rows[i].kind, rows[i].payload, rows[i].task);
        EXPECT_TEXT(fixture_entry_text(&f, 0), rows[i].entry);
        fixture_close(&f);
    }
}

TEST(told, how_the_incident_has_ended)
{
    static const struct {
        pw_event_kind kind;
        const char *task, *resolution;
    } rows[] = {
        { PW_EVENT_RETRY, NULL, "retried" },    { PW_EVENT_SKIP, NULL, "skipped" },
        { PW_EVENT_GOTO, "/do/1/n", "moved" },  { PW_EVENT_FAIL, NULL, "failed" },
        { PW_EVENT_CANCEL, NULL, "cancelled" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        start(&f, "  - x: { call: work }\n" NEXT);
        failed(&f, 1);
        act(&f, PW_EVENT_EDIT, "[{\"op\":\"add\",\"path\":\"/context\",\"value\":1}]", NULL);
        EXPECT_STR(f.t.resolution, ""); /* an edit leaves it open */
        EXPECT(pw_state_has_incident(f.state));
        act(&f, rows[i].kind, NULL, rows[i].task);
        EXPECT_STR(f.t.resolution, rows[i].resolution);
        EXPECT(!pw_state_has_incident(f.state));
        fixture_close(&f);
    }
}

TEST(told, an_instance_as_a_whole)
{
    fixture f;
    start(&f, "  - x: { set: { k: 1 }, export: { as: '{ seen: .k }' } }\n  - y: { set: '${ .k.x }' "
              "}\n" NEXT);
    pw_value view = pw_state_view(f.state, f.program, &f.arena);
    EXPECT_TEXT(fixture_text(&f, pw_json_text(&f.arena, pw_without(&f.arena, view, PW_LIT("waits")),
                                              PW_JSON_COMPACT)),
                "{\"status\":\"faulted\",\"incident\":true,\"data\":{\"context\":{\"seen\":1},"
                "\"input\":{\"k\":1}}}");
    EXPECT_INT(pw_get_lit(view, "waits").count, 1);
    act(&f, PW_EVENT_SKIP, NULL, NULL);
    fixture_command(&f, PW_EVENT_SUSPEND, "bob", "a break");
    view = pw_state_view(f.state, f.program, &f.arena);
    EXPECT_TEXT(fixture_text(&f, pw_json_text(&f.arena, pw_without(&f.arena, view, PW_LIT("waits")),
                                              PW_JSON_COMPACT)),
                "{\"status\":\"suspended\",\"suspendedBy\":\"bob\",\"suspendedReason\":\"a "
                "break\",\"incident\":false,"
                "\"data\":{\"context\":{\"seen\":1}}}");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ keys */

#define POST                                                                                       \
    "{ call: http, with: { method: post, endpoint: 'http://x.test/', body: '${ {k, c: $context} "  \
    "}' } }"

static void refused(fixture *f)
{
    start(f, "  - x: " POST "\n" NEXT);
    fixture_answer(f, 1, 503, "text/plain", "no");
    fixture_reload(f);
}

TEST(key, is_the_same_as_long_as_the_same_is_asked)
{
    fixture f;
    start(&f, "  - x: " POST "\n" NEXT);
    char key[64];
    (void)snprintf(key, sizeof key, "%s", fixture_text(&f, f.t.calls[0].key));
    fixture_close(&f);
    static const struct {
        pw_event_kind kind;
        const char *payload, *task, *edit;
        bool same;
    } rows[] = {
        { PW_EVENT_RETRY, NULL, NULL, NULL, true },
        { PW_EVENT_RETRY, "{\"k\":1}", NULL, NULL, true },
        { PW_EVENT_RETRY, "{\"k\":1,\"unused\":2}", NULL, NULL, true },
        { PW_EVENT_RETRY, "{\"k\":2}", NULL, NULL, false },
        { PW_EVENT_RETRY, NULL, NULL, "[{\"op\":\"replace\",\"path\":\"/input/k\",\"value\":2}]",
          false },
        { PW_EVENT_RETRY, NULL, NULL, "[{\"op\":\"replace\",\"path\":\"/context\",\"value\":2}]",
          false },
        { PW_EVENT_GOTO, NULL, "/do/0/x", NULL, false }, /* done anew */
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        refused(&f);
        if (rows[i].edit)
            act(&f, PW_EVENT_EDIT, rows[i].edit, NULL);
        act(&f, rows[i].kind, rows[i].payload, rows[i].task);
        EXPECT_INT(f.t.call_count, 1);
        EXPECT_INT(f.t.calls[0].visit, 2);
        EXPECT(pw_str_eq(f.t.calls[0].key, pw_str_of(key)) == rows[i].same);
        fixture_close(&f);
    }
}

static void late(fixture *f)
{
    start(f, "  - x: " POST "\n" NEXT);
    fixture_called(f, 1, 1, (pw_call_result){ .timed_out = true, .class_ = PW_CLASS_TIMEOUT });
    fixture_reload(f);
}

TEST(doubt, the_same_input_is_the_same_request_and_needs_no_word)
{
    fixture f;
    late(&f);
    act(&f, PW_EVENT_RETRY, "{\"k\":1.0}", NULL);
    EXPECT_TEXT(fixture_outcome(&f), "waiting: instance.retried x, task.started x | call x");
    fixture_close(&f);
}

TEST(doubt, data_that_were_edited_make_another_request)
{
    static const char *const edits[] = {
        "[{\"op\":\"replace\",\"path\":\"/input/k\",\"value\":2}]",
        "[{\"op\":\"replace\",\"path\":\"/context\",\"value\":2}]",
    };
    for (size_t i = 0; i < PW_LENGTH(edits); i++) {
        fixture f;
        late(&f);
        act(&f, PW_EVENT_EDIT, edits[i], NULL);
        act(&f, PW_EVENT_RETRY, NULL, NULL);
        EXPECT_TEXT(fixture_outcome(&f),
                    "state/outcome-unknown: the call of 'x' (/do/0/x) may have had its effect; "
                    "another request would "
                    "be sent instead of it. Look at the service, then confirm that you know");
        confirmed(&f, PW_EVENT_RETRY, NULL, NULL);
        EXPECT_TEXT(fixture_outcome(&f),
                    "waiting: instance.retried x (confirmed), task.started x | call x");
        fixture_close(&f);
    }
}

TEST(doubt, a_call_that_somebody_is_asked_about_is_made_anew_once_its_data_were_edited)
{
    fixture f;
    start(&f, "  - x: { call: http, with: { method: post, endpoint: 'http://x.test/', body: '${ .k "
              "}' }, metadata: { pawl: { resilience: { "
              "onUnknownOutcome: ask } } } }\n" NEXT);
    const char *key = fixture_text(&f, f.t.calls[0].key);
    f.faults.suspend_after = 1;
    fixture_called(&f, 1, 1, (pw_call_result){ .timed_out = true, .class_ = PW_CLASS_TIMEOUT });
    fixture_reload(&f);
    EXPECT_STATUS(f, "suspended");
    act(&f, PW_EVENT_EDIT, "[{\"op\":\"replace\",\"path\":\"/input/k\",\"value\":2}]", NULL);
    act(&f, PW_EVENT_CONTINUE, NULL, NULL);
    EXPECT_INT(f.t.code, PAWL_STATE);
    EXPECT_INT(f.t.reason, PAWL_REASON_UNKNOWN_OUTCOME);
    confirmed(&f, PW_EVENT_RETRY, NULL, NULL);
    EXPECT_TEXT(fixture_outcome(&f),
                "waiting: instance.retried x (confirmed), task.started x | call x");
    EXPECT(!pw_str_eq(f.t.calls[0].key, pw_str_of(key)));
    EXPECT(!f.t.calls[0].again);
    /* what was left behind is no doubt about what is asked now */
    fixture_answer(&f, 2, 503, "text/plain", "no");
    fixture_reload(&f);
    act(&f, PW_EVENT_SKIP, NULL, NULL);
    EXPECT_STATUS(f, "waiting");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ what fits */

TEST(fits, an_input_that_does_not_fit_is_refused_and_nothing_has_changed)
{
    static const struct {
        pw_event_kind kind;
        const char *payload, *task;
    } rows[] = {
        { PW_EVENT_RETRY, "{\"k\":\"x\"}", NULL },
        { PW_EVENT_GOTO, "{\"k\":\"x\"}", "/do/0/x" },
        { PW_EVENT_EDIT, "[{\"op\":\"replace\",\"path\":\"/input/k\",\"value\":\"x\"}]", NULL },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        start(&f, "  - x: { call: work, input: { schema: { document: { properties: { k: { type: "
                  "number } } } } } }\n" NEXT);
        failed(&f, 1);
        act(&f, rows[i].kind, rows[i].payload, rows[i].task);
        EXPECT_TEXT(fixture_outcome(&f),
                    "invalid/answer-not-valid: '/k' must be a number, not a string");
        act(&f, PW_EVENT_RETRY, NULL, NULL);
        EXPECT_STATUS(f, "waiting");
        fixture_close(&f);
    }
}

TEST(fits, an_output_goes_through_as_export_and_schemas)
{
    fixture f;
    start(&f, "  - x: { call: work, output: { as: '${ .list | add }' }, export: { as: '${ {sum: .} "
              "}' }, then: n }\n"
              "  - between: { set: { no: 1 } }\n" NEXT);
    failed(&f, 1);
    act(&f, PW_EVENT_SKIP, "{\"list\":[1,2,4]}", NULL);
    EXPECT_TEXT(fixture_outcome(&f), "waiting: instance.skipped x, task.skipped x, task.started n "
                                     "| activity n {\"got\":7,\"c\":{\"sum\":7}}");
    fixture_close(&f);
    /* as by a false `if`: nothing of that, and no `then` */
    start(&f, "  - x: { call: work, output: { as: '${ .list | add }' }, export: { as: '${ {sum: .} "
              "}' }, then: n }\n"
              "  - between: { set: { no: 1 } }\n" NEXT);
    failed(&f, 1);
    act(&f, PW_EVENT_SKIP, NULL, NULL);
    EXPECT_TEXT(fixture_outcome(&f),
                "waiting: instance.skipped x, task.skipped x, task.completed between, task.started "
                "n | activity n {\"got\":{\"no\":1},\"c\":null}");
    fixture_close(&f);
}

TEST(fits, an_output_that_does_not_fit_is_refused_and_nothing_has_changed)
{
    static const struct {
        const char *task, *output, *message;
    } rows[] = {
        { "output: { schema: { document: { type: array } } }", "{}",
          "the output must be an array, not an object" },
        { "output: { as: '${ .a.b }' }", "{\"a\":1}", "Cannot index number with string" },
        { "export: { as: '${ .a.b }' }", "{\"a\":1}", "Cannot index number with string" },
        { "export: { as: '${ .a }', schema: { document: { type: array } } }", "{\"a\":1}",
          "the context must be an array, not 1" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        char tasks[400];
        (void)snprintf(tasks, sizeof tasks, "  - x: { call: work, %s }\n" NEXT, rows[i].task);
        start(&f, tasks);
        failed(&f, 1);
        const char *before = fixture_text(&f, f.t.state_text);
        act(&f, PW_EVENT_SKIP, rows[i].output, NULL);
        EXPECT_INT(f.t.code, PAWL_INVALID);
        EXPECT_INT(f.t.reason, PAWL_REASON_BAD_ANSWER);
        EXPECT_CONTAINS(fixture_outcome(&f), rows[i].message);
        act(&f, PW_EVENT_SKIP, NULL, NULL);
        EXPECT_STATUS(f, "waiting");
        EXPECT(strlen(before) > 0);
        fixture_close(&f);
    }
}

TEST(fits, the_output_of_the_workflow)
{
    fixture f;
    start(&f, HEAD "output: { as: '${ .a.b }', schema: { document: { type: number } } }\ndo:\n  - "
                   "x: { call: work }\n");
    fixture_result(&f, 1, 1, "{\"a\":1}");
    fixture_reload(&f);
    act(&f, PW_EVENT_SKIP, NULL, NULL);
    EXPECT_TEXT(fixture_outcome(&f),
                "invalid/answer-not-valid: the output must be a number, not an object");
    act(&f, PW_EVENT_SKIP, "3", NULL);
    EXPECT_TEXT(fixture_outcome(&f), "completed: instance.skipped, instance.completed -> 3");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ where one can go */

typedef struct place {
    const char *tasks;
    uint64_t visit; /* of the work that fails */
    const char *to, *outcome;
} place;

#define BAD "{ bad: { call: work } }"
#define HERE "{ here: { call: work, with: { got: '${ . }' } } }"

TEST(go, to_what_is_in_the_list_or_in_one_around_it)
{
    static const place rows[] = {
        { "  - x: { do: [ " HERE ", " BAD " ] }\n" NEXT, 3, "/do/0/x/do/0/here",
          "waiting: instance.moved bad to here, task.started here | activity here "
          "{\"got\":{\"r\":1}}" },
        { "  - x: { do: [ " HERE ", " BAD " ] }\n" NEXT, 3, "/do/1/n",
          "waiting: instance.moved bad to n, task.cancelled x, task.started n | activity n "
          "{\"got\":{\"r\":1},\"c\":null}" },
        { "  - x: { for: { in: '${ [5, 6] }', each: i }, do: [ { here: { call: work, with: { got: "
          "'${ $i }' } } }, " BAD " ] }\n",
          3, "/do/0/x/do/0/here",
          "waiting: instance.moved bad to here, task.started here | activity here {\"got\":5}" },
        { "  - x: { try: [ " HERE ", " BAD " ], catch: { errors: { with: { status: 1 } } } }\n", 3,
          "/do/0/x/try/0/here",
          "waiting: instance.moved bad to here, task.started here | activity here "
          "{\"got\":{\"r\":1}}" },
        { "  - x: { fork: { branches: [ { one: { do: [ " HERE ", " BAD
          " ] } }, { two: { wait: PT1H } } ] } }\n",
          5, "/do/0/x/fork/branches/0/one/do/0/here",
          "waiting: instance.moved bad to here, task.started here | activity here, timer two "
          "{\"got\":{\"r\":1}}" },
        { HEAD "use: { functions: { f: { do: [ " HERE ", " BAD
               " ] } } }\ndo:\n  - x: { call: f }\n" NEXT,
          4, "/use/functions/f/do/0/here",
          "waiting: instance.moved bad to here, task.started here | activity here "
          "{\"got\":{\"r\":1}}" },
        { HEAD "use: { functions: { f: { do: [ " HERE ", " BAD
               " ] } } }\ndo:\n  - x: { call: f }\n" NEXT,
          4, "/do/1/n",
          "waiting: instance.moved bad to n, task.cancelled x, task.cancelled f, task.started n | "
          "activity n {\"got\":{\"r\":1},\"c\":null}" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        start(&f, rows[i].tasks);
        EXPECT(f.t.work_count > 0);
        fixture_result(&f, f.t.work[0].visit, 1, "{\"r\":1}");
        fixture_reload(&f);
        EXPECT(f.t.work_count > 0);
        EXPECT_CONTAINS(fixture_text(&f, f.t.work[0].task), "/bad");
        failed(&f, rows[i].visit);
        EXPECT_STATUS(f, "faulted");
        act(&f, PW_EVENT_GOTO, NULL, rows[i].to);
        EXPECT_TEXT(fixture_outcome(&f), rows[i].outcome);
        fixture_close(&f);
    }
}

TEST(go, nowhere_else_and_what_can_be_gone_to_is_named)
{
    static const place rows[] = {
        { "  - x: { fork: { branches: [ { one: { call: work } }, { two: { wait: PT1H } } ] } "
          "}\n" NEXT,
          2, "/do/0/x/fork/branches/1/two",
          "invalid/: '/do/0/x/fork/branches/1/two' cannot be gone to from here; these can: "
          "/do/0/x, /do/1/n" },
        { "  - x: { do: [ " BAD " ] }\n  - y: { do: [ " HERE " ] }\n", 2, "/do/1/y/do/0/here",
          "invalid/: '/do/1/y/do/0/here' cannot be gone to from here; these can: /do/0/x/do/0/bad, "
          "/do/0/x, /do/1/y" },
        { "  - bad: { call: work }\n" NEXT, 1, "",
          "invalid/: '' cannot be gone to from here; these can: /do/0/bad, /do/1/n" },
        { "  - bad: { call: work }\n" NEXT, 1, "n",
          "invalid/: 'n' cannot be gone to from here; these can: /do/0/bad, /do/1/n" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        start(&f, rows[i].tasks);
        failed(&f, rows[i].visit);
        act(&f, PW_EVENT_GOTO, NULL, rows[i].to);
        EXPECT_TEXT(fixture_outcome(&f), rows[i].outcome);
        fixture_close(&f);
    }
}

TEST(go, closes_what_is_open_in_the_scope)
{
    fixture f;
    start(&f, "  - x:\n"
              "      fork:\n"
              "        branches:\n"
              "          - bad: { call: work }\n"
              "          - ask: { call: userTask }\n"
              "          - get: { call: http, with: { method: get, endpoint: 'http://x.test/' } }\n"
              "          - child: { run: { workflow: { namespace: test, name: other, version: "
              "'1.0.0' } } }\n"
              "          - hear: { listen: { to: { one: { with: { type: t } } } } }\n" NEXT);
    failed(&f, 2);
    act(&f, PW_EVENT_GOTO, NULL, "/do/1/n");
    EXPECT_TEXT(fixture_outcome(&f),
                "state/outcome-unknown: the call of 'get' (/do/0/x/fork/branches/2/get) may have "
                "had its effect; to go on "
                "elsewhere leaves that open. Look at the service, then confirm that you know");
    confirmed(&f, PW_EVENT_GOTO, NULL, "/do/1/n");
    EXPECT_TEXT(fixture_outcome(&f),
                "waiting: instance.moved bad to n (confirmed), task.cancelled x, task.cancelled "
                "ask, task.cancelled get, "
                "task.cancelled child, task.cancelled hear, task.started n | activity n "
                "{\"got\":{\"k\":1},\"c\":null}");
    EXPECT_INT(f.t.bookmark_end_count, 3);
    EXPECT_INT(f.t.outcome_count, 1);
    EXPECT_INT(f.t.outcomes[0].state, PW_CALL_ABANDONED);
    EXPECT_INT(f.t.message_count, 1);
    EXPECT_STR(f.t.messages[0].kind, "cancel");
    fixture_close(&f);
}

TEST(go, by_hand_after_its_timeout_gives_the_workflow_its_time_again)
{
    fixture f;
    start(&f, HEAD "timeout: { after: PT1M }\ndo:\n  - x: { call: userTask }\n" NEXT);
    fixture_timer(&f, T0 + 60000);
    fixture_reload(&f);
    f.now_ms = T0 + 100000;
    act(&f, PW_EVENT_GOTO, "{\"by\":\"hand\"}", "/do/1/n");
    EXPECT_TEXT(fixture_outcome(&f),
                "waiting: instance.moved to n, task.cancelled x, task.started n | activity n "
                "{\"got\":{\"by\":\"hand\"},\"c\":null}");
    EXPECT_INT(f.t.timer_at, T0 + 160000);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ beside it */

TEST(beside, results_that_were_kept_go_on)
{
    static const struct {
        pw_event_kind kind;
        const char *payload, *outcome;
    } rows[] = {
        { PW_EVENT_SKIP, NULL,
          "waiting: instance.skipped bad, task.skipped bad, task.completed good, task.completed x, "
          "task.started n | "
          "activity n {\"got\":[{\"k\":1},7],\"c\":null}" },
        { PW_EVENT_SKIP, "8",
          "waiting: instance.skipped bad, task.skipped bad, task.completed good, task.completed x, "
          "task.started n | "
          "activity n {\"got\":[8,7],\"c\":null}" },
        { PW_EVENT_RETRY, "9",
          "waiting: instance.retried bad, task.completed good, task.started bad | activity bad" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        start(&f, "  - x: { fork: { branches: [ " BAD ", { good: { call: work } } ] } }\n" NEXT);
        failed(&f, 2);
        fixture_result(&f, 3, 1, "7");
        fixture_reload(&f);
        act(&f, rows[i].kind, rows[i].payload, NULL);
        EXPECT_TEXT(fixture_outcome(&f), rows[i].outcome);
        fixture_close(&f);
    }
}

TEST(beside, an_error_that_was_kept_is_the_next_incident)
{
    fixture f;
    start(&f, "  - x: { fork: { branches: [ " BAD ", { other: { call: work } } ] } }\n" NEXT);
    failed(&f, 2);
    fixture_failed(&f, 3, 1, FAILS);
    fixture_reload(&f);
    act(&f, PW_EVENT_SKIP, "8", NULL);
    EXPECT_TEXT(fixture_outcome(&f), "faulted: instance.skipped bad, task.skipped bad, "
                                     "task.faulted other, instance.faulted | incident other");
    EXPECT_STR(f.t.resolution, "skipped");
    EXPECT(f.t.fault != NULL);
    act(&f, PW_EVENT_SKIP, NULL, NULL);
    EXPECT_TEXT(fixture_outcome(&f), "waiting: instance.skipped other, task.skipped other, "
                                     "task.completed x, task.started n | activity n "
                                     "{\"got\":[8,{\"k\":1}],\"c\":null}");
    fixture_close(&f);
}

TEST(beside, the_last_branch_of_a_race_wins_with_an_output_and_gives_up_without)
{
    static const struct {
        const char *payload, *outcome;
    } rows[] = {
        { "5", "waiting: instance.skipped b, task.skipped b, task.completed x, task.started n | "
               "activity n {\"got\":5,\"c\":{\"won\":5}}" },
        { NULL, "faulted: instance.skipped b, task.skipped b, task.faulted x, instance.faulted | "
                "incident x" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        start(&f, "  - x: { fork: { compete: true, branches: [ { a: { call: work } }, { b: { call: "
                  "work, export: { as: '${ {won: .} }' } } } ] } }\n" NEXT);
        failed(&f, 2);
        EXPECT_STATUS(f, "waiting");
        failed(&f, 3);
        EXPECT_STATUS(f, "faulted");
        act(&f, PW_EVENT_SKIP, rows[i].payload, NULL);
        EXPECT_TEXT(fixture_outcome(&f), rows[i].outcome);
        fixture_close(&f);
    }
}

/* As many branches as rest in rows of their own. */
TEST(beside, a_branch_of_a_wide_fork_is_mended_alone)
{
    static const struct {
        pw_event_kind kind;
        const char *payload, *outcome;
    } rows[] = {
        { PW_EVENT_SKIP, "8",
          "waiting: instance.skipped f, task.skipped f | timer a, timer b, timer c, timer d, timer "
          "e, timer g, timer h" },
        { PW_EVENT_RETRY, "8",
          "waiting: instance.retried f, task.started f | timer a, timer b, timer c, timer d, timer "
          "e, activity f, timer g, timer h" },
        { PW_EVENT_EDIT, "[{\"op\":\"replace\",\"path\":\"/input\",\"value\":5}]",
          "faulted: instance.edited | timer a, timer b, timer c, timer d, timer e, incident f, "
          "timer g, timer h" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        start(&f, "  - x:\n      fork:\n        branches:\n          - a: { wait: PT1H }\n         "
                  " - b: { wait: PT1H }\n"
                  "          - c: { wait: PT1H }\n          - d: { wait: PT1H }\n          - e: { "
                  "wait: PT1H }\n          - f: { call: work }\n"
                  "          - g: { wait: PT1H }\n          - h: { wait: PT1H }\n" NEXT);
        failed(&f, 7);
        act(&f, rows[i].kind, rows[i].payload, NULL);
        EXPECT_TEXT(fixture_outcome(&f), rows[i].outcome);
        EXPECT_TEXT(
            fixture_text(
                &f,
                pw_json_text(&f.arena, pw_get_lit(pw_state_data(f.state, &f.arena), "context"), 0)),
            "null");
        fixture_close(&f);
    }
}

/* ------------------------------------------------------------------ edit */

TEST(edit, both_are_seen_by_the_retry)
{
    fixture f;
    start(&f, "  - x: { call: work, with: { got: '${ . }', c: '${ $context }' } }\n");
    failed(&f, 1);
    act(&f, PW_EVENT_EDIT,
        "[{\"op\":\"test\",\"path\":\"/input/k\",\"value\":1},{\"op\":\"replace\",\"path\":\"/"
        "input/k\",\"value\":2},"
        "{\"op\":\"add\",\"path\":\"/context\",\"value\":{\"a\":[1]}},{\"op\":\"copy\",\"from\":\"/"
        "input\",\"path\":\"/context/a/-\"}]",
        NULL);
    EXPECT_TEXT(fixture_outcome(&f), "faulted: instance.edited | incident x");
    EXPECT_TEXT(fixture_text(&f, pw_json_text(&f.arena, pw_state_data(f.state, &f.arena), 0)),
                "{\"context\":{\"a\":[1,{\"k\":2}]},\"input\":{\"k\":2}}");
    act(&f, PW_EVENT_RETRY, NULL, NULL);
    EXPECT_TEXT(fixture_outcome(&f), "waiting: instance.retried x, task.started x | activity x "
                                     "{\"got\":{\"k\":2},\"c\":{\"a\":[1,{\"k\":2}]}}");
    fixture_close(&f);
}

TEST(edit, of_what_waits_is_seen_by_what_follows)
{
    fixture f;
    start(&f, "  - x: { call: work }\n" NEXT);
    act(&f, PW_EVENT_EDIT, "[{\"op\":\"replace\",\"path\":\"/context\",\"value\":5}]", NULL);
    fixture_result(&f, 1, 1, "1");
    EXPECT_TEXT(fixture_outcome(&f),
                "waiting: task.completed x, task.started n | activity n {\"got\":1,\"c\":5}");
    fixture_close(&f);
}

TEST(edit, that_cannot_be_is_refused)
{
    static const struct {
        const char *patch, *outcome;
    } rows[] = {
        { NULL, "invalid/answer-not-valid: a JSON Patch is an array of operations, and this is of "
                "type none" },
        { "{}", "invalid/answer-not-valid: a JSON Patch is an array of operations, and this is of "
                "type object" },
        { "[{\"op\":\"test\",\"path\":\"/input/k\",\"value\":2}]",
          "invalid/answer-not-valid: operation 0 of the patch: test '/input/k': the test fails: "
          "what is there is something else" },
        { "[{\"op\":\"remove\",\"path\":\"/context\"}]",
          "invalid/answer-not-valid: 'context' cannot be removed: make it null" },
        { "[{\"op\":\"remove\",\"path\":\"/input\"}]",
          "invalid/answer-not-valid: 'input' cannot be removed: make it null" },
        { "[{\"op\":\"add\",\"path\":\"/status\",\"value\":\"completed\"}]",
          "invalid/answer-not-valid: 'status' is nothing that can be edited" },
        { "[{\"op\":\"replace\",\"path\":\"\",\"value\":[]}]",
          "invalid/answer-not-valid: the data of an instance are an object, and this would be of "
          "type array" },
        { "[]", "same: the data are so already" },
        { "[{\"op\":\"replace\",\"path\":\"/input/k\",\"value\":1.0}]",
          "same: the data are so already" },
        { "[{\"op\":\"test\",\"path\":\"\",\"value\":{\"context\":null,\"input\":{\"k\":1}}}]",
          "same: the data are so already" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        start(&f, "  - x: { call: work }\n");
        failed(&f, 1);
        act(&f, PW_EVENT_EDIT, rows[i].patch, NULL);
        EXPECT_TEXT(fixture_outcome(&f), rows[i].outcome);
        fixture_close(&f);
    }
    fixture f;
    start(&f, "  - x: { call: work }\n");
    act(&f, PW_EVENT_EDIT, "[{\"op\":\"add\",\"path\":\"/input\",\"value\":1}]", NULL);
    EXPECT_TEXT(
        fixture_outcome(&f),
        "invalid/answer-not-valid: 'input' is nothing that can be edited: no task has failed");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ a schedule */

TEST(schedule, can_be_retried_or_cancelled_and_no_more)
{
    static const struct {
        pw_event_kind kind;
        const char *payload, *task, *outcome;
    } rows[] = {
        { PW_EVENT_SKIP, NULL, NULL,
          "state/: a schedule cannot be skipped; retry the incident, or cancel the schedule" },
        { PW_EVENT_GOTO, NULL, "/do/0/a",
          "state/: a schedule cannot be left; retry the incident, or cancel the schedule" },
        { PW_EVENT_RETRY, "1", NULL,
          "state/: a schedule has failed, not a task: its input stays as it was" },
        { PW_EVENT_EDIT, "[{\"op\":\"replace\",\"path\":\"/input\",\"value\":1}]", NULL,
          "invalid/answer-not-valid: operation 0 of the patch: replace '/input': the whole has no "
          "member 'input'" },
        { PW_EVENT_RETRY, NULL, NULL,
          "faulted: instance.retried schedule, task.started schedule, task.faulted schedule, "
          "instance.faulted | incident schedule" },
        { PW_EVENT_CANCEL, NULL, NULL, "cancelled: instance.cancelled" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        fixture_open(&f,
                     "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\n"
                     "schedule: { on: { one: { with: { type: t }, correlate: { k: { from: .id, "
                     "expect: '${ .a.b }' } } } } }\n"
                     "do:\n  - a: { set: { b: 1 } }\n");
        pw_event event = { .kind = PW_EVENT_START, .now_ms = T0, .seed = 7, .schedule = true };
        event.payload = json(&f, "{\"a\":1}");
        fixture_event(&f, &event);
        EXPECT_STATUS(f, "faulted");
        fixture_reload(&f);
        act(&f, rows[i].kind, rows[i].payload, rows[i].task);
        EXPECT_TEXT(fixture_outcome(&f), rows[i].outcome);
        fixture_close(&f);
    }
}

/* ------------------------------------------------------------------ no memory */

TEST(mend, running_out_of_memory_at_any_allocation_leaves_the_old_state)
{
    static const struct {
        pw_event_kind kind;
        const char *payload, *task;
    } rows[] = {
        { PW_EVENT_RETRY, "{\"k\":2}", NULL },
        { PW_EVENT_SKIP, "{\"k\":2}", NULL },
        { PW_EVENT_GOTO, "{\"k\":2}", "/do/1/n" },
        { PW_EVENT_EDIT,
          "[{\"op\":\"replace\",\"path\":\"/context\",\"value\":[1]},{\"op\":\"copy\",\"from\":\"/"
          "input\",\"path\":\"/context/-\"}]",
          NULL },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        start(&f, "  - x: { call: work, input: { schema: { document: { type: object } } }, output: "
                  "{ as: '${ .k }' }, export: { as: '${ . }' } }\n" NEXT);
        failed(&f, 1);
        const pw_event event = event_of(&f, rows[i].kind, rows[i].payload, rows[i].task);
        pawl_code code = PAWL_NO_MEMORY;
        uint64_t refused_times = 0;
        for (uint64_t n = 1; code != PAWL_OK; n++) {
            EXPECT(n < 10000);
            pw_arena arena;
            pw_arena_init(&arena, 0);
            pw_transition t;
            pawl_error err;
            f.identity.sequence = f.steps + 1;
            pw_alloc_fail_after(n);
            code = pw_core_step(&t, f.program, f.state, &f.identity, &event, &f.settings, f.machine,
                                &arena, &err);
            pw_alloc_fail_after(0);
            EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY);
            refused_times += code == PAWL_NO_MEMORY;
            pw_arena_done(&arena);
        }
        EXPECT(refused_times > 1);
        fixture_event(&f, &event);
        EXPECT(f.t.changed);
        fixture_reload(&f);
        fixture_close(&f);
    }
}

TEST_MAIN()
