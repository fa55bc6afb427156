/* remedy_test.c - metadata.pawl.onFault: who is asked about an incident, what is asked, and what
 * comes of the answer. */
#include "fixture.h"
#include "core/step.h"

#define DOC(ours)                                                                                  \
    "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0', metadata: { pawl: "  \
    "{ " ours " } } }\ndo:\n"
#define ASK                                                                                        \
    "onFault: { call: userTask, with: { title: '${ \"look at \" + .name }', candidates: { "        \
    "groups: [ops] } } }"
#define NEXT "  - n: { call: work, with: { got: '${ . }' } }\n"
#define ONE DOC(ASK) "  - x: { call: work, with: { k: '${ .k }' } }\n" NEXT

static pw_value json(fixture *f, const char *text)
{
    pw_value v = { 0 };
    pawl_error err;
    EXPECT_OK(pw_json_parse(&v, pw_str_of(text), NULL, &f->arena, &err), err);
    return v;
}

static void failed(fixture *f, uint64_t visit)
{
    fixture_failed(f, visit, 1, "{\"status\":418,\"title\":\"no tea\"}");
    fixture_reload(f);
}

static void open_incident(fixture *f, const char *tasks)
{
    fixture_open(f, tasks);
    fixture_start(f, "{\"k\":1}");
    fixture_reload(f);
    failed(f, 1);
}

static void answer(fixture *f, const char *data)
{
    fixture_resume(f, "onFault-2", data, "ann");
    if (f->t.changed)
        fixture_reload(f);
}

static const char *text_of(fixture *f, pw_value v)
{
    return fixture_text(f, pw_json_text(&f->arena, v, PW_JSON_COMPACT));
}

/* ------------------------------------------------------------------ asked */

TEST(asked, a_user_task_is_opened_beside_what_is_kept)
{
    fixture f;
    open_incident(&f, ONE);
    EXPECT_TEXT(fixture_outcome(&f), "faulted: task.faulted x, instance.faulted, task.started "
                                     "onFault | incident x, user-action onFault");
    EXPECT_INT(f.t.bookmark_count, 1);
    const pw_bookmark *bookmark = &f.t.bookmarks[0];
    EXPECT_INT(bookmark->kind, PW_BOOKMARK_USER);
    EXPECT_STR(bookmark->task, "/document/metadata/pawl/onFault");
    EXPECT_STR(bookmark->key, "onFault-2");
    EXPECT_INT(bookmark->visit, 2);
    EXPECT_STR(bookmark->candidates, "{\"groups\":[\"ops\"]}");
    EXPECT_STR(bookmark->payload,
               "{\"title\":\"look at "
               "x\",\"candidates\":{\"groups\":[\"ops\"]},\"form\":{\"schema\":{\"type\":"
               "\"object\",\"required\":[\"action\"],"
               "\"properties\":{\"action\":{\"enum\":[\"retry\",\"skip\",\"fail\"]},\"input\":{},"
               "\"output\":{},"
               "\"reason\":{\"type\":\"string\"},\"confirmed\":{\"type\":\"boolean\"}}}}}");
    EXPECT_INT(f.t.timer_at, PW_WAKE_NEVER);
    fixture_close(&f);
}

TEST(asked, what_it_is_about_is_its_input)
{
    fixture f;
    open_incident(&f, DOC("onFault: { call: userTask, with: { data: '${ . }' }, metadata: { pawl: "
                          "{ actions: [retry, fail] } } }") "  - x: { call: work }\n");
    pw_value data = pw_get_lit(json(&f, fixture_text(&f, f.t.bookmarks[0].payload)), "data");
    EXPECT_CONTAINS(text_of(&f, pw_get_lit(data, "action")), "pawl retry i1");
    EXPECT_TEXT(
        text_of(&f, pw_without(&f.arena, data, PW_LIT("action"))),
        "{\"error\":{\"type\":\"https://open-workflow-specification.org/spec/1.0.0/errors/"
        "runtime\",\"status\":418,\"title\":\"no tea\","
        "\"instance\":\"/do/0/x\"},\"task\":\"/do/0/"
        "x\",\"name\":\"x\",\"visit\":1,\"input\":{\"k\":1},\"class\":\"other\",\"attempts\":1}");
    fixture_close(&f);
}

TEST(asked, of_the_nearest_that_says_so)
{
    static const struct {
        const char *tasks, *bookmark;
    } rows[] = {
        { DOC(ASK) "  - x: { call: work, metadata: { pawl: { onFault: { call: userTask } } } }\n",
          "/do/0/x/metadata/pawl/onFault" },
        { DOC("lifecycle: { workflow: none }") "  - y: { do: [ { x: { call: work } } ], metadata: "
                                               "{ pawl: { onFault: { call: userTask } } } }\n",
          "/do/0/y/metadata/pawl/onFault" },
        { DOC(ASK) "  - x: { call: work }\n  - y: { call: work, metadata: { pawl: { onFault: { "
                   "call: userTask } } } }\n",
          "/document/metadata/pawl/onFault" },
        { DOC("lifecycle: { workflow: none }") "  - x: { call: work }\n  - y: { call: work, "
                                               "metadata: { pawl: { onFault: { call: userTask } } "
                                               "} }\n",
          "" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        fixture_open(&f, rows[i].tasks);
        fixture_start(&f, "{\"k\":1}");
        fixture_reload(&f);
        failed(&f, f.t.work[0].visit);
        EXPECT_INT(f.t.bookmark_count, rows[i].bookmark[0] ? 1 : 0);
        if (rows[i].bookmark[0])
            EXPECT_STR(f.t.bookmarks[0].task, rows[i].bookmark);
        fixture_close(&f);
    }
}

TEST(asked, not_where_the_policy_suspends_it)
{
    fixture f;
    fixture_open(&f, ONE);
    f.faults.suspend_after = 1;
    fixture_start(&f, "{\"k\":1}");
    fixture_reload(&f);
    failed(&f, 1);
    EXPECT_TEXT(
        fixture_outcome(&f),
        "suspended: task.faulted x, instance.faulted, instance.suspended | continue, incident x");
    EXPECT_INT(f.t.bookmark_count, 0);
    fixture_close(&f);
}

TEST(asked, not_where_the_question_cannot_be_made_which_is_told)
{
    static const char *const questions[] = {
        "onFault: { call: userTask, with: { title: '${ .error.x.y.z | error }' } }",
        "onFault: { call: userTask, with: { candidates: '${ .name }' } }",
        "onFault: { call: userTask, with: { due: '${ .name }' } }",
    };
    for (size_t i = 0; i < PW_LENGTH(questions); i++) {
        fixture f;
        char tasks[600];
        (void)snprintf(tasks, sizeof tasks,
                       "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0', "
                       "metadata: { pawl: { %s } } }\ndo:\n"
                       "  - x: { call: work }\n" NEXT,
                       questions[i]);
        open_incident(&f, tasks);
        EXPECT_TEXT(
            fixture_outcome(&f),
            "faulted: task.faulted x, instance.faulted, onFault.failed onFault | incident x");
        EXPECT_INT(f.t.bookmark_count, 0);
        EXPECT(f.t.fault != NULL);
        fixture_command(&f, PW_EVENT_SKIP, "ann", "");
        EXPECT_TEXT(fixture_outcome(&f), "waiting: instance.skipped x, task.skipped x, "
                                         "task.started n | activity n {\"got\":{\"k\":1}}");
        fixture_close(&f);
    }
}

/* ------------------------------------------------------------------ answered */

TEST(answer, is_carried_out_as_a_command_of_who_gives_it)
{
    static const struct {
        const char *answer, *outcome, *resolution, *entry;
    } rows[] = {
        { "{\"action\":\"retry\"}",
          "waiting: bookmark.consumed onFault, instance.retried x, task.started x | activity x "
          "{\"k\":1}",
          "retried",
          "{\"type\":\"instance.retried\",\"task\":\"/do/0/x\",\"visit\":1,\"by\":\"ann\"}" },
        { "{\"action\":\"retry\",\"input\":{\"k\":2},\"output\":3,\"reason\":\"mended\"}",
          "waiting: bookmark.consumed onFault, instance.retried x, task.started x | activity x "
          "{\"k\":2}",
          "retried",
          "{\"type\":\"instance.retried\",\"task\":\"/do/0/"
          "x\",\"visit\":1,\"by\":\"ann\",\"reason\":\"mended\",\"input\":{\"k\":2}}" },
        { "{\"action\":\"skip\"}",
          "waiting: bookmark.consumed onFault, instance.skipped x, task.skipped x, task.started n "
          "| activity n {\"got\":{\"k\":1}}",
          "skipped",
          "{\"type\":\"instance.skipped\",\"task\":\"/do/0/x\",\"visit\":1,\"by\":\"ann\"}" },
        { "{\"action\":\"skip\",\"output\":3,\"input\":4}",
          "waiting: bookmark.consumed onFault, instance.skipped x, task.skipped x, task.started n "
          "| activity n {\"got\":3}",
          "skipped",
          "{\"type\":\"instance.skipped\",\"task\":\"/do/0/"
          "x\",\"visit\":1,\"by\":\"ann\",\"output\":3}" },
        { "{\"action\":\"fail\",\"reason\":\"hopeless\"}",
          "faulted: bookmark.consumed onFault, instance.failed x", "failed",
          "{\"type\":\"instance.failed\",\"task\":\"/do/0/"
          "x\",\"visit\":1,\"by\":\"ann\",\"reason\":\"hopeless\"}" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        open_incident(&f, ONE);
        answer(&f, rows[i].answer);
        EXPECT_TEXT(fixture_outcome(&f), rows[i].outcome);
        EXPECT_STR(f.t.resolution, rows[i].resolution);
        EXPECT_TEXT(fixture_entry_text(&f, 1), rows[i].entry);
        EXPECT_INT(f.t.bookmark_end_count, 1);
        EXPECT(f.t.bookmark_ends[0].consumed);
        EXPECT_STR(f.t.bookmark_ends[0].by, "ann");
        EXPECT_STR(f.t.bookmark_ends[0].key, "onFault-2");
        answer(&f, rows[i].answer); /* a repeat is told from the row of the bookmark */
        EXPECT_INT(f.t.code, PAWL_NOT_FOUND);
        fixture_close(&f);
    }
}

TEST(answer, that_begins_the_compensation)
{
    fixture f;
    fixture_open(&f, DOC(ASK) "  - book: { call: work, metadata: { pawl: { compensate: { call: "
                              "unbook } } } }\n  - x: { call: work }\n");
    fixture_start(&f, "{\"k\":1}");
    fixture_reload(&f);
    fixture_result(&f, 1, 1, "1");
    fixture_reload(&f);
    failed(&f, 2);
    EXPECT_CONTAINS(fixture_text(&f, f.t.bookmarks[0].payload),
                    "[\"retry\",\"skip\",\"fail\",\"compensate\"]");
    fixture_resume(&f, "onFault-3", "{\"action\":\"compensate\",\"reason\":\"enough\"}", "ann");
    EXPECT_STATUS(f, "compensating");
    EXPECT_TEXT(fixture_entry_text(&f, 1), "{\"type\":\"compensation.started\",\"by\":\"ann\","
                                           "\"reason\":\"enough\",\"trigger\":\"request\","
                                           "\"registered\":1}");
    EXPECT_STR(f.t.resolution, "compensating");
    fixture_close(&f);
}

TEST(answer, that_is_refused_leaves_the_question_open)
{
    static const struct {
        const char *answer, *outcome;
    } rows[] = {
        { "{}", "invalid/answer-not-valid: the answer must have the member \"action\"" },
        { "{\"action\":\"undo\"}", "invalid/answer-not-valid: '/action' must be one of "
                                   "[\"retry\",\"skip\",\"fail\"], not \"undo\"" },
        { "{\"action\":\"compensate\"}", "invalid/answer-not-valid: '/action' must be one of "
                                         "[\"retry\",\"skip\",\"fail\"], not \"compensate\"" },
        { "{\"action\":\"retry\",\"input\":{\"k\":\"x\"}}",
          "invalid/answer-not-valid: '/k' must be a number, not a string" },
        { "{\"action\":\"skip\",\"output\":\"x\"}",
          "invalid/answer-not-valid: the output must be a number, not a string" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        open_incident(&f, DOC(ASK) "  - x: { call: work, input: { schema: { document: { "
                                   "properties: { k: { type: number } } } } }, "
                                   "output: { schema: { document: { type: number } } } }\n" NEXT);
        answer(&f, rows[i].answer);
        EXPECT_TEXT(fixture_outcome(&f), rows[i].outcome);
        answer(&f, "{\"action\":\"skip\",\"output\":1}");
        EXPECT_STATUS(f, "waiting");
        fixture_close(&f);
    }
}

TEST(answer, by_a_form_of_its_own_names_an_action_too)
{
    fixture f;
    open_incident(&f,
                  DOC("onFault: { call: userTask, with: { form: { schema: { type: object } } }, "
                      "metadata: { pawl: { actions: [skip] } } }") "  - x: { call: work }\n" NEXT);
    answer(&f, "{\"action\":\"retry\"}");
    EXPECT_TEXT(
        fixture_outcome(&f),
        "invalid/answer-not-valid: the answer's 'action' is no action that may be chosen: 'retry'");
    answer(&f, "{\"what\":\"skip\"}");
    EXPECT_TEXT(
        fixture_outcome(&f),
        "invalid/answer-not-valid: the answer's 'action' is no action that may be chosen: ''");
    answer(&f, "{\"action\":\"skip\"}");
    EXPECT_STATUS(f, "waiting");
    fixture_close(&f);
}

TEST(answer, that_leaves_a_call_behind_says_that_this_is_known)
{
    fixture f;
    fixture_open(&f, ONE);
    f.faults.rules[PW_FAULT_ACTIVITY][PW_CLASS_LOST].retried = false;
    fixture_start(&f, "{\"k\":1}");
    fixture_reload(&f);
    fixture_lost(&f, 1, 1);
    fixture_reload(&f);
    answer(&f, "{\"action\":\"skip\"}");
    EXPECT_INT(f.t.reason, PAWL_REASON_UNKNOWN_OUTCOME);
    answer(&f, "{\"action\":\"skip\",\"confirmed\":true}");
    EXPECT_TEXT(fixture_outcome(&f), "waiting: bookmark.consumed onFault, instance.skipped x "
                                     "(confirmed), task.skipped x, task.started n | "
                                     "activity n {\"got\":{\"k\":1}}");
    fixture_close(&f);
}

TEST(answer, is_of_who_may_and_may_be_claimed)
{
    fixture f;
    open_incident(&f, ONE);
    pw_event event = { .kind = PW_EVENT_RESUME,
                       .now_ms = T0,
                       .seed = 7,
                       .key = PW_LIT("onFault-2"),
                       .actor = PW_LIT("eve"),
                       .restricted = true };
    event.payload = json(&f, "{\"action\":\"fail\"}");
    fixture_event(&f, &event);
    EXPECT_INT(f.t.code, PAWL_DENIED);
    const pw_str ops[] = { PW_LIT("ops") };
    event.groups = ops;
    event.group_count = 1;
    event.kind = PW_EVENT_CLAIM;
    event.until_ms = -1;
    fixture_event(&f, &event);
    EXPECT(f.t.changed);
    fixture_reload(&f);
    event.kind = PW_EVENT_RESUME;
    event.actor = PW_LIT("ann");
    fixture_event(&f, &event);
    EXPECT_INT(f.t.reason, PAWL_REASON_CLAIMED);
    event.actor = PW_LIT("eve");
    fixture_event(&f, &event);
    EXPECT_TEXT(fixture_outcome(&f), "faulted: bookmark.consumed onFault, instance.failed x");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ over */

TEST(question, ends_with_the_incident_however_that_ends)
{
    static const struct {
        pw_event_kind kind;
        const char *outcome;
    } rows[] = {
        { PW_EVENT_RETRY, "waiting: instance.retried x, task.cancelled onFault, task.started x | "
                          "activity x {\"k\":1}" },
        { PW_EVENT_SKIP, "waiting: instance.skipped x, task.cancelled onFault, task.skipped x, "
                         "task.started n | activity n {\"got\":{\"k\":1}}" },
        { PW_EVENT_FAIL, "faulted: instance.failed x, task.cancelled onFault" },
        { PW_EVENT_CANCEL, "cancelled: instance.cancelled, task.cancelled onFault" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        open_incident(&f, ONE);
        fixture_command(&f, rows[i].kind, "bob", "");
        EXPECT_TEXT(fixture_outcome(&f), rows[i].outcome);
        EXPECT_INT(f.t.bookmark_end_count, 1);
        EXPECT(!f.t.bookmark_ends[0].consumed);
        fixture_close(&f);
    }
}

TEST(question, stays_open_over_an_edit)
{
    fixture f;
    open_incident(&f, ONE);
    pw_event event = { .kind = PW_EVENT_EDIT, .now_ms = T0, .seed = 7, .actor = PW_LIT("bob") };
    event.payload = json(&f, "[{\"op\":\"replace\",\"path\":\"/input/k\",\"value\":3}]");
    fixture_event(&f, &event);
    EXPECT_TEXT(fixture_outcome(&f), "faulted: instance.edited | incident x, user-action onFault");
    fixture_reload(&f);
    answer(&f, "{\"action\":\"retry\"}");
    EXPECT_TEXT(fixture_outcome(&f), "waiting: bookmark.consumed onFault, instance.retried x, "
                                     "task.started x | activity x {\"k\":3}");
    fixture_close(&f);
}

TEST(question, is_asked_again_at_the_next_incident)
{
    fixture f;
    open_incident(&f, ONE);
    answer(&f, "{\"action\":\"retry\"}");
    failed(&f, 3);
    EXPECT_TEXT(fixture_outcome(&f), "faulted: task.faulted x, instance.faulted, task.started "
                                     "onFault | incident x, user-action onFault");
    EXPECT_STR(f.t.bookmarks[0].key, "onFault-4");
    fixture_close(&f);
    /* in the same step, under a key of the definition's own */
    open_incident(
        &f, DOC("onFault: { call: userTask, with: { key: help } }") "  - x: { call: work }\n  - y: "
                                                                    "{ set: '${ .k.x }' }\n");
    fixture_command(&f, PW_EVENT_SKIP, "bob", "");
    EXPECT_TEXT(fixture_outcome(&f), "faulted: instance.skipped x, task.cancelled onFault, "
                                     "task.skipped x, task.faulted y, instance.faulted, "
                                     "task.started onFault | incident y, user-action onFault");
    EXPECT_STR(f.t.bookmark_ends[0].key, "help");
    EXPECT_INT(f.t.bookmark_ends[0].visit, 2);
    EXPECT_STR(f.t.bookmarks[0].key, "help");
    EXPECT_INT(f.t.bookmarks[0].visit, 4);
    fixture_reload(&f);
    fixture_resume(&f, "help", "{\"action\":\"skip\"}", "ann");
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

TEST(question, about_the_workflow_itself)
{
    fixture f;
    fixture_open(&f, "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0', "
                     "metadata: { pawl: { " ASK " } } }\n"
                     "timeout: { after: PT1M }\noutput: { as: '${ .a.b }' }\ndo:\n  - x: { call: "
                     "work, with: { k: '${ .k }' } }\n");
    fixture_start(&f, "{\"k\":1}");
    fixture_reload(&f);
    fixture_timer(&f, T0 + 60000);
    EXPECT_TEXT(fixture_outcome(&f), "faulted: instance.faulted, task.started onFault | incident , "
                                     "activity x, user-action onFault");
    EXPECT_CONTAINS(fixture_text(&f, f.t.bookmarks[0].payload), "\"title\":\"look at flow\"");
    fixture_reload(&f);
    answer(&f, "{\"action\":\"retry\"}");
    EXPECT_TEXT(fixture_outcome(&f),
                "waiting: bookmark.consumed onFault, instance.retried | activity x");
    fixture_result(&f, 1, 1, "{\"a\":1}"); /* then at its end */
    EXPECT_TEXT(fixture_outcome(&f), "faulted: task.completed x, instance.faulted, task.started "
                                     "onFault | incident , user-action onFault");
    fixture_reload(&f);
    fixture_resume(&f, "onFault-3", "{\"action\":\"skip\",\"output\":5}", "ann");
    EXPECT_TEXT(fixture_outcome(&f),
                "completed: bookmark.consumed onFault, instance.skipped, instance.completed -> 5");
    fixture_close(&f);
}

/* What a store gives may be anything. */
TEST(question, without_an_incident_is_corrupt)
{
    static const struct {
        const char *what, *by;
        pawl_code code;
    } rows[] = {
        { "\"s\":\"faulted\"", "\"s\":\"faulted\"", PAWL_OK },
        { "\"fi\":1,", "", PAWL_CORRUPT },
        { "\"p\":7,\"v\":2", "\"p\":0,\"v\":2", PAWL_CORRUPT },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        open_incident(&f, ONE);
        const char *text = fixture_text(&f, f.t.state_text), *at = strstr(text, rows[i].what);
        EXPECT(at != NULL);
        pw_str other = pw_arena_printf(&f.arena, "%.*s%s%s", (int)(at - text), text, rows[i].by,
                                       at + strlen(rows[i].what));
        pw_state *state;
        pawl_error err;
        EXPECT_INT(pw_state_parse(&state, other, f.program, NULL, &f.arena, &err), rows[i].code);
        fixture_close(&f);
    }
}

TEST(question, running_out_of_memory_at_any_allocation_leaves_the_old_state)
{
    static const char *const answers[] = { "{\"action\":\"retry\",\"input\":{\"k\":2}}",
                                           "{\"action\":\"skip\",\"output\":[1]}" };
    for (size_t i = 0; i < PW_LENGTH(answers); i++) {
        fixture f;
        open_incident(&f, ONE);
        pw_event event = { .kind = PW_EVENT_RESUME,
                           .now_ms = T0,
                           .seed = 7,
                           .key = PW_LIT("onFault-2"),
                           .actor = PW_LIT("ann") };
        event.payload = json(&f, answers[i]);
        pawl_code code = PAWL_NO_MEMORY;
        uint64_t refused = 0;
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
            refused += code == PAWL_NO_MEMORY;
            pw_arena_done(&arena);
        }
        EXPECT(refused > 1);
        answer(&f, answers[i]);
        EXPECT_STATUS(f, "waiting");
        fixture_close(&f);
    }
}

TEST_MAIN()
