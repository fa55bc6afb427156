/* Schemas: of what comes into a workflow or a task and goes out of it, and of what a person
 * answers. */
#include "fixture.h"

#define DOCUMENT "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\n"
#define AGE                                                                                        \
    "{ schema: { document: { type: object, required: [ age ], properties: { age: { type: "         \
    "integer, minimum: 18 } } } } }"
#define VALIDATION "https://open-workflow-specification.org/spec/1.0.0/errors/validation"

static void start(fixture *f, const char *input, bool unheard, int64_t at)
{
    pw_event event = { .kind = PW_EVENT_START,
                       .now_ms = f->now_ms,
                       .unheard = unheard,
                       .start_at_ms = at };
    pawl_error err;
    EXPECT_OK(pw_json_parse(&event.payload, pw_str_of(input), NULL, &f->arena, &err), err);
    fixture_event(f, &event);
}

static void expect_error(fixture *f, const char *title, const char *detail, const char *instance)
{
    EXPECT_STATUS(*f, "faulted");
    const char *error = fixture_text(f, f->t.error);
    EXPECT_TEXT(fixture_member(f, error, "type"), VALIDATION);
    EXPECT_TEXT(fixture_member(f, error, "status"), "400");
    EXPECT_TEXT(fixture_member(f, error, "title"), title);
    EXPECT_TEXT(fixture_member(f, error, "detail"), detail);
    EXPECT_TEXT(fixture_member(f, error, "instance"), instance);
}

/* ------------------------------------------------------------------ the workflow */

TEST(data, an_input_that_does_not_fit_starts_nothing)
{
    fixture f;
    fixture_open(&f, DOCUMENT "input: " AGE "\ndo: [ { a: { set: { n: 1 } } } ]\n");
    for (int later = 0; later < 2; later++) {
        start(&f, "{\"age\":17}", false, later ? T0 + 1000 : 0);
        EXPECT(!f.t.changed);
        EXPECT_INT(f.t.code, PAWL_INVALID);
        EXPECT_STR(f.t.message, "'/age' must be at least 18, not 17");
    }
    start(&f, "null", false, 0);
    EXPECT_STR(f.t.message, "the input must be an object, not null");
    start(&f, "{\"age\":18}", false, 0);
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

TEST(data, where_nobody_hears_a_refusal_the_instance_faults)
{
    fixture f;
    fixture_open(&f, DOCUMENT "input: " AGE "\ndo: [ { a: { set: { n: 1 } } } ]\n");
    start(&f, "{}", true, 0);
    EXPECT_TEXT(fixture_entries(&f), "instance.started; instance.faulted");
    EXPECT_TEXT(fixture_events(&f), "workflow.started; workflow.faulted");
    expect_error(&f, "the input does not fit its schema", "the input must have the member \"age\"",
                 "/");
    EXPECT_STR(f.t.fault->kind, "activity-fault");
    fixture_close(&f);
}

TEST(data, the_raw_input_is_looked_at_before_it_is_transformed)
{
    fixture f;
    fixture_open(&f, DOCUMENT "input:\n"
                              "  from: '${ .age }'\n"
                              "  schema: { document: { type: object } }\n"
                              "do: [ { a: { set: '${ { n: . } }' } } ]\n");
    start(&f, "{\"age\":5}", false, 0);
    EXPECT_OUTPUT(f, "{\"n\":5}");
    fixture_close(&f);
}

TEST(data, an_input_is_looked_at_once_when_it_starts_later)
{
    fixture f;
    fixture_open(&f, DOCUMENT "input: " AGE "\ndo: [ { a: { set: { n: 1 } } } ]\n");
    start(&f, "{\"age\":18}", false, T0 + 1000);
    EXPECT_STATUS(f, "pending");
    fixture_timer(&f, T0 + 1000);
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

TEST(data, a_schedule_has_an_input_of_its_own)
{
    fixture f;
    fixture_open(&f, DOCUMENT "input: " AGE "\nschedule: { every: PT1H }\n"
                              "output: { schema: { document: { required: [ n ] } } }\n"
                              "do: [ { a: { set: { n: 1 } } } ]\n");
    pw_event event = {
        .kind = PW_EVENT_START, .now_ms = T0, .schedule = true, .payload = pw_null()
    };
    fixture_event(&f, &event);
    EXPECT_STATUS(f, "waiting");
    fixture_close(&f);
}

TEST(data, the_output_of_the_workflow_is_looked_at_when_it_is_transformed)
{
    fixture f;
    fixture_open(&f, DOCUMENT "output: { as: '${ .n }', schema: { document: { const: 1 } } }\n"
                              "do: [ { a: { set: '${ { n: .k } }' } } ]\n");
    fixture_start(&f, "{\"k\":1}");
    EXPECT_OUTPUT(f, "1");
    f.state = NULL;
    fixture_start(&f, "{\"k\":2}");
    expect_error(&f, "the output does not fit its schema", "the output must be 1, not 2", "/");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ tasks */

TEST(data, a_task_s_raw_input_must_fit)
{
    fixture f;
    fixture_open(&f, "  - a: { set: { n: 1 }, input: { from: '${ .age }', schema: { document: { "
                     "type: object } } } }\n");
    fixture_start(&f, "{\"age\":1}");
    EXPECT_STATUS(f, "completed");
    f.state = NULL;
    fixture_start(&f, "[1]");
    expect_error(&f, "the input does not fit its schema",
                 "the input must be an object, not an array", "/do/0/a");
    EXPECT_TEXT(fixture_entries(&f), "instance.started; task.faulted /do/0/a; instance.faulted");
    fixture_close(&f);
}

TEST(data, a_skipped_task_is_not_looked_at)
{
    fixture f;
    fixture_open(
        &f,
        "  - a: { if: '${ false }', set: { n: 1 }, input: { schema: { document: false } },"
        " output: { schema: { document: false } }, export: { schema: { document: false } } }\n");
    fixture_start(&f, "1");
    EXPECT_OUTPUT(f, "1");
    fixture_close(&f);
}

TEST(data, a_task_s_transformed_output_must_fit)
{
    fixture f;
    fixture_open(&f, "  - a: { set: '${ { n: . } }', output: { as: '${ .n }', schema: { document: "
                     "{ type: number } } } }\n");
    fixture_start(&f, "1");
    EXPECT_OUTPUT(f, "1");
    f.state = NULL;
    fixture_start(&f, "\"x\"");
    expect_error(&f, "the output does not fit its schema",
                 "the output must be a number, not a string", "/do/0/a");
    fixture_close(&f);
}

TEST(data, the_new_context_must_fit_and_a_wrong_one_is_none)
{
    fixture f;
    fixture_open(&f, "  - safe:\n"
                     "      try:\n"
                     "        - a: { set: { n: 1 }, export: { as: { k: '${ .n }' } } }\n"
                     "        - b: { set: { n: 2 }, export: { as: { k: '${ .n }' }, schema: { "
                     "document: { properties: { k: { const: 1 } } } } } }\n"
                     "      catch: { do: [ { c: { set: '${ { context: $context, error: "
                     "$error.detail } }' } } ] }\n");
    fixture_start(&f, "null");
    EXPECT_OUTPUT(f, "{\"context\":{\"k\":1},\"error\":\"'/k' must be 1, not 2\"}");
    fixture_close(&f);
}

TEST(data, without_as_the_context_that_is_there_must_fit)
{
    fixture f;
    fixture_open(&f,
                 "  - a: { set: { n: 1 }, export: { schema: { document: { type: object } } } }\n");
    fixture_start(&f, "null");
    expect_error(&f, "the context does not fit its schema",
                 "the context must be an object, not null", "/do/0/a");
    fixture_close(&f);
}

TEST(data, what_does_not_fit_is_an_error_to_be_caught)
{
    fixture f;
    fixture_open(&f, "  - safe:\n"
                     "      try: [ { a: { call: work, output: { schema: { document: { required: [ "
                     "id ] } } } } } ]\n"
                     "      catch:\n"
                     "        errors: { with: { type: " VALIDATION ", status: 400 } }\n"
                     "        do: [ { c: { set: { caught: '${ $error.detail }' } } } ]\n");
    fixture_start(&f, "null");
    fixture_result(&f, 2, 1, "{}");
    EXPECT_OUTPUT(f, "{\"caught\":\"the output must have the member \\\"id\\\"\"}");
    fixture_close(&f);
}

TEST(data, what_a_foreach_of_messages_gives_must_fit)
{
    fixture f;
    fixture_open(&f,
                 "  - hear:\n"
                 "      listen: { to: { any: [ { with: { type: t } } ], until: '${ false }' } }\n"
                 "      foreach: { item: m, do: [ { a: { set: '${ $m }' } } ],"
                 " output: { schema: { document: { type: integer } } }, export: { as: '${ . }', "
                 "schema: { document: { maximum: 5 } } } }\n");
    fixture_start(&f, "null");
    fixture_message(&f, 1, 1, "{\"type\":\"t\",\"data\":5}");
    EXPECT_STATUS(f, "waiting");
    fixture_message(&f, 1, 2, "{\"type\":\"t\",\"data\":6}");
    expect_error(&f, "the context does not fit its schema", "the context must be at most 5, not 6",
                 "/do/0/hear");
    fixture_close(&f);
}

TEST(data, a_pattern_is_one_of_test)
{
    fixture f;
    fixture_open(&f, "  - a: { set: { n: 1 }, input: { schema: { document: { pattern: "
                     "'^\\p{Lu}[a-z]+$' } } } }\n");
    fixture_start(&f, "\"Ann\"");
    EXPECT_STATUS(f, "completed");
    f.state = NULL;
    fixture_start(&f, "\"ann\"");
    EXPECT_STATUS(f, "faulted");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ forms */

static void answer(fixture *f, const char *data)
{
    fixture_resume(f, "k", data, "ann");
}

static void expect_wrong(fixture *f, const char *message)
{
    EXPECT(!f->t.changed);
    EXPECT_INT(f->t.code, PAWL_INVALID);
    EXPECT_INT(f->t.reason, PAWL_REASON_BAD_ANSWER);
    EXPECT_STR(f->t.message, message);
}

TEST(data, an_answer_must_fit_the_form)
{
    fixture f;
    fixture_open(
        &f, "  - ask:\n"
            "      call: userTask\n"
            "      with: { key: k, form: { schema: { type: object, required: [ approved ],"
            " properties: { approved: { type: boolean } }, additionalProperties: false } } }\n");
    fixture_start(&f, "null");
    EXPECT(strstr(fixture_text(&f, f.t.state_text), "approved") ==
           NULL); /* it is in the definition */
    fixture_reload(&f);
    answer(&f, "{\"approved\":\"yes\"}");
    expect_wrong(&f, "'/approved' must be a boolean, not a string");
    answer(&f, "{}");
    expect_wrong(&f, "the answer must have the member \"approved\"");
    answer(&f, "{\"approved\":true,\"more\":1}");
    expect_wrong(&f, "'/more' is not allowed");
    answer(&f, "{\"approved\":true}");
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

TEST(data, a_form_may_be_computed)
{
    fixture f;
    fixture_open(&f, "  - ask: { call: userTask, with: { key: k, form: { schema: { type: '${ .type "
                     "}' } } } }\n");
    fixture_start(&f, "{\"type\":\"integer\"}");
    fixture_reload(&f);
    answer(&f, "\"x\"");
    expect_wrong(&f, "the answer must be an integer, not a string");
    answer(&f, "7");
    EXPECT_STATUS(f, "completed");
    f.state = NULL;
    fixture_start(&f, "{\"type\":\"whole\"}");
    expect_error(
        &f, "'form.schema' is no JSON Schema",
        "'/type' must be one of null, boolean, object, array, number, string, integer, or an "
        "array of these",
        "/do/0/ask");
    fixture_close(&f);
}

TEST(data, what_becomes_of_an_answer_must_fit_the_task_s_output)
{
    fixture f;
    fixture_open(&f, "  - ask:\n"
                     "      call: userTask\n"
                     "      with: { key: k }\n"
                     "      output: { as: '${ .n }', schema: { document: { type: integer } } }\n");
    fixture_start(&f, "null");
    answer(&f, "{\"n\":\"x\"}");
    expect_wrong(&f, "the output must be an integer, not a string");
    answer(&f, "{\"n\":3}");
    EXPECT_OUTPUT(f, "3");
    fixture_close(&f);
}

TEST(data, an_answer_is_looked_at_while_suspended_too)
{
    fixture f;
    fixture_open(&f,
                 "  - ask: { call: userTask, with: { key: k, form: { schema: { const: 1 } } } }\n");
    fixture_start(&f, "null");
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    answer(&f, "2");
    expect_wrong(&f, "the answer must be 1, not 2");
    answer(&f, "1");
    EXPECT(f.t.changed);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

TEST(data, in_loose_mode_an_output_that_is_refused_leaves_no_entry)
{
    fixture f;
    fixture_open(&f, DOCUMENT "evaluate: { mode: loose }\n"
                              "do:\n"
                              "  - ask:\n"
                              "      call: userTask\n"
                              "      with: { key: k }\n"
                              "      output: { as: { n: '.n', t: '1 + \"a\"' }, schema: { "
                              "document: { properties: { n: { type: integer } } } } }\n");
    fixture_start(&f, "null");
    answer(&f, "{\"n\":\"x\"}");
    expect_wrong(&f, "'/n' must be an integer, not a string");
    answer(&f, "{\"n\":1}");
    EXPECT_OUTPUT(f, "{\"n\":1,\"t\":\"1 + \\\"a\\\"\"}");
    pw_value entries = fixture_entry(&f, 3);
    EXPECT_STR(pw_get_text(entries, "type"), "expression.literal");
    EXPECT_TEXT(
        fixture_text(&f, pw_json_text(&f.arena, pw_get_lit(entries, "times"), PW_JSON_COMPACT)),
        "1");
    fixture_close(&f);
}

TEST_MAIN()
