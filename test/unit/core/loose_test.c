/* loose_test.c - evaluate.mode: loose. A string that may be an expression is one, or itself where
 * it fails, and the log says so once for each string and step. */
#include "fixture.h"

#define LOOSE                                                                                      \
    "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\n"                  \
    "evaluate: { mode: loose }\n"                                                                  \
    "do:\n"

TEST(loose, a_string_that_compiles_is_an_expression)
{
    fixture f;
    fixture_open(&f, LOOSE "  - a:\n"
                           "      set:\n"
                           "        x: .x\n"
                           "        sum: 1 + .x\n"
                           "        number: '42'\n"
                           "        none: 'null'\n"
                           "        clock: now\n"
                           "        text: just text\n"
                           "        whole: '${ .x }'\n"
                           "        list: [ .x, a, 1 ]\n");
    fixture_start(&f, "{\"x\":5}");
    EXPECT_OUTPUT(f, "{\"x\":5,\"sum\":6,\"number\":42,\"none\":null,\"clock\":1790000000,"
                     "\"text\":\"just text\",\"whole\":5,\"list\":[5,\"a\",1]}");
    EXPECT_TEXT(fixture_entries(&f), "instance.started; task.completed /do/0/a; "
                                     "instance.completed");
    fixture_close(&f);
}

TEST(loose, a_string_whose_expression_fails_is_itself_and_the_log_says_so)
{
    fixture f;
    fixture_open(&f, LOOSE "  - a: { set: { x: .x.y, e: error, t: '.n + 1' } }\n");
    fixture_start(&f, "{\"x\":5,\"n\":1}");
    EXPECT_OUTPUT(f, "{\"x\":\".x.y\",\"e\":\"error\",\"t\":2}");
    EXPECT_TEXT(fixture_entries(&f), "instance.started; task.completed /do/0/a; "
                                     "instance.completed; expression.literal /do/0/a; "
                                     "expression.literal /do/0/a");
    EXPECT_TEXT(
        fixture_text(&f, pw_json_text(&f.arena, fixture_entry(&f, 3), PW_JSON_COMPACT)),
        "{\"type\":\"expression.literal\",\"task\":\"/do/0/a\",\"visit\":1,"
        "\"text\":\".x.y\",\"error\":\"Cannot index number with string (\\\"y\\\")\",\"times\":1}");
    fixture_close(&f);
}

TEST(loose, what_is_wrapped_still_fails)
{
    fixture f;
    fixture_open(&f, LOOSE "  - a: { set: { x: '${ .x.y }' } }\n");
    fixture_start(&f, "{\"x\":5}");
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "status"), "400");
    fixture_close(&f);
}

TEST(loose, a_condition_is_an_expression_in_either_mode)
{
    fixture f;
    fixture_open(&f, LOOSE "  - a: { if: .x.y, set: { x: 1 } }\n");
    fixture_start(&f, "{\"x\":5}");
    EXPECT_STATUS(f, "faulted");
    fixture_close(&f);
}

static int count_of(fixture *f, const char *type)
{
    int count = 0;
    for (size_t i = 0; !pw_is(fixture_entry(f, i), PW_NONE); i++)
        count += pw_str_is(pw_get_text(fixture_entry(f, i), "type"), type);
    return count;
}

TEST(loose, a_loop_logs_a_string_once_in_a_step)
{
    fixture f;
    fixture_open(&f, LOOSE "  - l:\n"
                           "      for: { in: '[range(500)]' }\n"
                           "      do: [ { s: { set: { x: .x.y } } } ]\n");
    f.settings.tasks_per_step = 301;
    fixture_start(&f, "{\"x\":5}");
    EXPECT(f.t.cut);
    EXPECT_INT(count_of(&f, "task.completed"), 300);
    EXPECT_INT(count_of(&f, "expression.literal"), 1);
    pw_value entry = fixture_entry(&f, 302); /* behind the starts of instance and loop */
    EXPECT_TEXT(fixture_text(&f, pw_json_text(&f.arena, entry, PW_JSON_COMPACT)),
                "{\"type\":\"expression.literal\",\"task\":\"/do/0/l/do/0/s\",\"visit\":2,"
                "\"text\":\".x.y\",\"error\":\"Cannot index number with string (\\\"y\\\")\","
                "\"times\":300}");
    fixture_close(&f);
}

TEST(loose, strings_beyond_the_limit_are_counted)
{
    fixture f;
    fixture_open(&f, LOOSE
                 "  - a: { set: { a: [ .x.a, .x.b, .x.c, .x.d, .x.e, .x.f, .x.g, .x.h, .x.i,\n"
                 "                     .x.j, .x.k, .x.l, .x.m, .x.n, .x.o, .x.p, .x.q, "
                 ".x.r ] } }\n");
    fixture_start(&f, "{\"x\":5}");
    pw_value first = fixture_entry(&f, 3), last = fixture_entry(&f, 18);
    EXPECT_STR(pw_get_text(first, "text"), ".x.a");
    EXPECT_STR(pw_get_text(last, "text"), ".x.p");
    EXPECT_TEXT(fixture_text(&f, pw_json_text(&f.arena, fixture_entry(&f, 19), PW_JSON_COMPACT)),
                "{\"type\":\"expression.literal\",\"more\":2}");
    EXPECT(pw_is(fixture_entry(&f, 20), PW_NONE));
    fixture_close(&f);
}

TEST(loose, a_duration_may_be_computed_and_text_that_is_none_is_an_error)
{
    fixture f;
    fixture_open(&f, LOOSE "  - a: { wait: .pause }\n");
    fixture_start(&f, "{\"pause\":\"PT10S\"}");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.timer_at, T0 + 10000);
    fixture_close(&f);
    fixture_open(&f, LOOSE "  - a: { wait: .pause.x }\n");
    fixture_start(&f, "{\"pause\":\"PT10S\"}");
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "title"), "not a duration");
    fixture_close(&f);
}

TEST(loose, a_request_is_rendered_from_it)
{
    fixture f;
    fixture_open(
        &f,
        LOOSE "  - a: { call: http, with: { method: post, endpoint: .url, headers: { X-N: .n },\n"
              "                            query: { q: .n }, body: { customer: .customer } } }\n");
    fixture_start(&f, "{\"url\":\"http://h/x\",\"n\":7,\"customer\":{\"name\":\"Ada\"}}");
    EXPECT_INT(f.t.call_count, 1);
    const char *request = fixture_text(&f, f.t.calls[0].request);
    EXPECT_TEXT(fixture_member(&f, request, "uri"), "http://h/x?q=7");
    EXPECT_TEXT(fixture_member(&f, request, "body"), "{\"customer\":{\"name\":\"Ada\"}}");
    fixture_close(&f);
}

TEST(loose, an_error_may_have_its_type_from_one)
{
    fixture f;
    fixture_open(&f, LOOSE
                 "  - a: { raise: { error: { type: .type, status: 500, title: .title } } }\n");
    fixture_start(&f, "{\"type\":\"http://e/a\",\"title\":\"no\"}");
    EXPECT_TEXT(
        fixture_text(&f, f.t.error),
        "{\"type\":\"http://e/a\",\"status\":500,\"title\":\"no\",\"instance\":\"/do/0/a\"}");
    fixture_close(&f);
}

TEST(loose, text_that_arrives_as_data_is_never_an_expression)
{
    fixture f;
    fixture_open(&f, LOOSE "  - a: { set: { x: .x } }\n  - b: { set: { y: .x } }\n");
    fixture_start(&f, "{\"x\":\".x\"}");
    EXPECT_OUTPUT(f, "{\"y\":\".x\"}");
    fixture_close(&f);
}

TEST_MAIN()
