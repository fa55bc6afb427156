/* listen_test.c - messages that an instance waits for. Each test stores the state as text and reads
 * it back between its steps. */
#include <stdio.h>
#include "fixture.h"
#include "core/match.h"

/* The event as a CloudEvent of this type with this data. */
static void hear(fixture *f, uint64_t visit, uint64_t number, const char *type, const char *data)
{
    if (f->t.changed)
        fixture_reload(f);
    fixture_message(f, visit, number,
                    pw_arena_printf(&f->arena,
                                    "{\"specversion\":\"1.0\",\"id\":\"m%d\",\"source\":\"/s\","
                                    "\"type\":\"%s\",\"data\":%s}",
                                    (int)number, type, data)
                        .ptr);
}

static void expect_refused(const fixture *f, pawl_code code)
{
    EXPECT(!f->t.changed);
    EXPECT_TEXT(pawl_code_name(f->t.code), pawl_code_name(code));
}

static void expect_taken(const fixture *f, uint64_t visit, uint64_t number)
{
    EXPECT(f->t.changed);
    EXPECT_INT(f->t.taken_count, 1);
    EXPECT_INT(f->t.taken[0].visit, visit);
    EXPECT_INT(f->t.taken[0].number, number);
}

/* The bookmark of this visit, and nothing else, has ended. */
static void expect_closed(const fixture *f, uint64_t visit, const char *key, bool consumed)
{
    EXPECT_INT(f->t.bookmark_end_count, 1);
    EXPECT_INT(f->t.bookmark_ends[0].visit, visit);
    if (!pw_str_is(f->t.bookmark_ends[0].key, key))
        fail_msg("%.*s", PW_ARG(f->t.bookmark_ends[0].key));
    EXPECT_INT(f->t.bookmark_ends[0].consumed, consumed);
    EXPECT_INT(f->t.subscription_count, 0);
    EXPECT_INT(f->t.subscription_end_count, 0);
}

static const char *waits(fixture *f)
{
    pw_value all = pw_state_waits(f->state, f->program, &f->arena);
    return fixture_text(f, pw_json_text(&f->arena, all, PW_JSON_COMPACT));
}

/* ------------------------------------------------------------------ one */

#define ONE                                                                                        \
    "  - a:\n"                                                                                     \
    "      listen: { to: { one: { with: { type: order.paid } } } }\n"

TEST(listen, one_opens_a_bookmark_and_a_subscription_and_ends_with_the_first_message)
{
    fixture f;
    fixture_open(&f, ONE);
    fixture_start(&f, "null");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    EXPECT_INT(f.t.bookmark_count, 1);
    EXPECT_INT(f.t.bookmarks[0].kind, PW_BOOKMARK_MESSAGE);
    EXPECT_INT(f.t.bookmarks[0].visit, 1);
    EXPECT_STR(f.t.bookmarks[0].key, "a-1");
    EXPECT_STR(f.t.bookmarks[0].task, "/do/0/a");
    EXPECT_STR(f.t.bookmarks[0].message_type, "order.paid");
    EXPECT_INT(f.t.bookmarks[0].due_at, -1);
    EXPECT_STR(f.t.bookmarks[0].payload, "{\"to\":\"one\",\"types\":[\"order.paid\"]}");
    EXPECT_INT(f.t.subscription_count, 1);
    EXPECT_INT(f.t.subscriptions[0].visit, 1);
    EXPECT_INT(f.t.subscriptions[0].ordinal, 0);
    EXPECT_STR(f.t.subscriptions[0].matcher.type, "order.paid");
    EXPECT_STR(f.t.subscriptions[0].matcher.parts, "[]");
    EXPECT_STR(f.t.entries,
               "[{\"type\":\"instance.started\",\"input\":null},{\"type\":\"task.started\","
               "\"task\":\"/do/0/a\",\"visit\":1,\"key\":\"a-1\",\"listens\":{\"to\":\"one\","
               "\"types\":[\"order.paid\"]}}]");
    EXPECT(pw_state_hears(f.state));
    EXPECT_TEXT(waits(&f), "[{\"kind\":\"external-message\",\"task\":\"/do/0/a\",\"name\":\"a\","
                           "\"visit\":1,\"key\":\"a-1\",\"listens\":{\"to\":\"one\",\"types\":["
                           "\"order.paid\"]},\"since\":\"2026-09-21T14:13:20.000Z\"}]");
    f.now_ms = T0 + 40;
    hear(&f, 1, 5, "order.paid", "{\"n\":1}");
    expect_taken(&f, 1, 5);
    expect_closed(&f, 1, "a-1", true);
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "[{\"n\":1}]"); /* always an array */
    EXPECT_STR(f.t.entries,
               "[{\"type\":\"message.consumed\",\"task\":\"/do/0/a\",\"visit\":1,\"number\":5,"
               "\"event\":{\"specversion\":\"1.0\",\"id\":\"m5\",\"source\":\"/s\",\"type\":"
               "\"order.paid\",\"data\":{\"n\":1}}},{\"type\":\"task.completed\",\"task\":"
               "\"/do/0/a\",\"visit\":1,\"durationMs\":40},{\"type\":\"instance.completed\","
               "\"output\":[{\"n\":1}]}]");
    EXPECT(!pw_state_hears(f.state));
    fixture_close(&f);
}

TEST(listen, what_is_not_wanted_changes_nothing)
{
    fixture f;
    fixture_open(&f, "  - a: { listen: { to: { one: { with: { type: order.paid, source: /s } } } } }\n"
                     "  - b: { wait: PT1S }\n");
    fixture_start(&f, "null");
    hear(&f, 1, 1, "order.sent", "1"); /* of another type */
    expect_refused(&f, PAWL_NOT_FOUND);
    hear(&f, 2, 1, "order.paid", "1"); /* for another visit */
    expect_refused(&f, PAWL_NOT_FOUND);
    fixture_message(&f, 1, 2, "{\"type\":\"order.paid\",\"source\":\"/t\"}");
    expect_refused(&f, PAWL_NOT_FOUND);
    fixture_message(&f, 1, 2, "{}");
    expect_refused(&f, PAWL_NOT_FOUND);
    hear(&f, 1, 3, "order.paid", "1");
    expect_taken(&f, 1, 3);
    hear(&f, 1, 4, "order.paid", "1"); /* the bookmark has closed */
    expect_refused(&f, PAWL_NOT_FOUND);
    hear(&f, 2, 4, "order.paid", "1"); /* a wait is no listen */
    expect_refused(&f, PAWL_NOT_FOUND);
    fixture_close(&f);
}

TEST(listen, a_suspended_instance_leaves_its_messages_for_later)
{
    fixture f;
    fixture_open(&f, ONE);
    fixture_start(&f, "null");
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    EXPECT(!pw_state_hears(f.state));
    hear(&f, 1, 1, "order.paid", "1");
    expect_refused(&f, PAWL_BUSY);
    hear(&f, 9, 1, "order.paid", "1"); /* nothing of it would ever want this */
    expect_refused(&f, PAWL_NOT_FOUND);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT(pw_state_hears(f.state));
    hear(&f, 1, 1, "order.paid", "1");
    EXPECT_OUTPUT(f, "[1]");
    fixture_close(&f);
}

TEST(listen, an_instance_that_has_ended_wants_nothing)
{
    fixture f;
    fixture_open(&f, ONE);
    fixture_start(&f, "null");
    fixture_command(&f, PW_EVENT_CANCEL, "ann", "");
    expect_closed(&f, 1, "a-1", false);
    EXPECT_STR(f.t.bookmark_ends[0].by, "ann");
    hear(&f, 1, 1, "order.paid", "1");
    expect_refused(&f, PAWL_NOT_FOUND);
    fixture_close(&f);
}

TEST(listen, data_envelope_and_raw_are_read_as_their_names_say)
{
    static const struct {
        const char *read, *message, *output;
    } rows[] = {
        { "data", "{\"type\":\"t\",\"data\":{\"a\":1}}", "[{\"a\":1}]" },
        { "data", "{\"type\":\"t\"}", "[null]" },
        { "data", "{\"type\":\"t\",\"data_base64\":\"AAE=\"}", "[\"AAE=\"]" },
        { "envelope", "{\"type\":\"t\",\"data\":1}", "[{\"type\":\"t\",\"data\":1}]" },
        { "raw", "{\"type\":\"t\",\"data\":{\"a\":1}}", "[{\"a\":1}]" },
        { "raw", "{\"type\":\"t\",\"data_base64\":\"AAE=\"}", "[\"AAE=\"]" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        char tasks[200];
        (void)snprintf(tasks, sizeof tasks,
                       "  - a: { listen: { to: { any: [] }, read: %s } }\n", rows[i].read);
        fixture_open(&f, tasks);
        fixture_start(&f, "null");
        fixture_reload(&f);
        fixture_message(&f, 1, 1, rows[i].message);
        EXPECT_OUTPUT(f, rows[i].output);
        fixture_close(&f);
    }
}

/* ------------------------------------------------------------------ filters */

TEST(listen, attributes_are_literal_or_patterns_or_expressions)
{
    static const struct {
        const char *with, *message;
        bool fits;
    } rows[] = {
        { "subject: a.c", "{\"subject\":\"a.c\"}", true },
        { "subject: a.c", "{\"subject\":\"abc\"}", false }, /* literal (A-25) */
        { "subject: ^a.c", "{\"subject\":\"abc\"}", false },
        { "subject: ^a.c$", "{\"subject\":\"abc\"}", true },
        { "subject: ^a.c$", "{\"subject\":\"abcd\"}", false },
        { "subject: ^a.c$", "{}", false },
        { "type: '^order\\.(paid|sent)$'", "{\"type\":\"order.paid\"}", true },
        { "type: '^order\\.(paid|sent)$'", "{\"type\":\"order.lost\"}", false },
        { "data: '${ .n > 38 }'", "{\"data\":{\"n\":39}}", true }, /* `.` is the value (A-26) */
        { "data: '${ .n > 38 }'", "{\"data\":{\"n\":38}}", false },
        { "data: '${ .n > 38 }'", "{\"data\":[1]}", false }, /* it fails: it does not fit */
        { "data: '${ .n > 38 }'", "{}", false },
        { "subject: '${ ascii_downcase }'", "{\"subject\":\"abc\"}", true },
        { "subject: '${ ascii_downcase }'", "{\"subject\":\"Abc\"}", false },
        { "urgent: '${ . }'", "{\"urgent\":true}", true },
        { "urgent: '${ . }'", "{\"urgent\":false}", false }, /* no is no */
        { "urgent: true", "{\"urgent\":true}", true },
        { "urgent: true", "{\"urgent\":\"true\"}", false },
        { "urgent: false", "{\"urgent\":false}", true },
        { "urgent: false", "{}", false },
        { "data: { a: 1, b: [2] }", "{\"data\":{\"b\":[2.0],\"a\":1}}", true },
        { "data: { a: 1, b: [2] }", "{\"data\":{\"a\":1}}", false },
        { "data: null", "{}", true },
        { "subject: '${ $input.s }'", "{\"subject\":\"x\"}", true },
        { "subject: '${ $input.s }'", "{\"subject\":\"y\"}", false },
        { "data: { s: '${ $input.s }', n: 1 }", "{\"data\":{\"s\":\"x\",\"n\":1}}", true },
        { "data: { s: '${ $input.s }', n: 1 }", "{\"data\":{\"s\":\"y\",\"n\":1}}", false },
        { "subject: '${ $input.s == \"x\" }'", "{\"subject\":\"y\"}", true }, /* true: any */
        { "urgent: '${ $input.s == \"y\" }'", "{\"urgent\":false}", true },
        { "subject: '${ . == $input.s }'", "{\"subject\":\"x\"}", true },
        { "subject: '${ . == $input.s }'", "{\"subject\":\"y\"}", false },
        { "subject: '${ $input.s }', data: '${ .n > $input.n }'",
          "{\"subject\":\"x\",\"data\":{\"n\":4}}", true },
        { "subject: '${ $input.s }', data: '${ .n > $input.n }'",
          "{\"subject\":\"x\",\"data\":{\"n\":3}}", false },
        { "subject: '${ $input.s }', data: '${ .n > $input.n }'",
          "{\"subject\":\"y\",\"data\":{\"n\":4}}", false },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        char tasks[300];
        (void)snprintf(tasks, sizeof tasks,
                       "  - a: { listen: { to: { one: { with: { %s } } } } }\n", rows[i].with);
        fixture_open(&f, tasks);
        fixture_start(&f, "{\"s\":\"x\",\"n\":3}");
        pw_match *match;
        pawl_error err;
        EXPECT_OK(pw_match_new(&match, &f.t.subscriptions[0].matcher, &err), err);
        const char *wanted = fixture_text(&f, f.t.subscriptions[0].hash);
        fixture_reload(&f);
        fixture_message(&f, 1, 1, rows[i].message);
        if (f.t.changed != rows[i].fits)
            fail_msg("%s on %s: %d", rows[i].with, rows[i].message, rows[i].fits);
        /* and the matcher never hides from it what fits */
        char hash[PW_DIGEST_HEX_SIZE];
        pw_value message;
        EXPECT_OK(pw_json_parse(&message, pw_str_of(rows[i].message), NULL, &f.arena, &err), err);
        pawl_code code = pw_match_hash(hash, match, message, T0, f.machine, &f.arena, &err);
        if (rows[i].fits && (code != PAWL_OK || strcmp(hash, wanted) != 0))
            fail_msg("%s on %s: another hash", rows[i].with, rows[i].message);
        pw_match_free(match);
        fixture_close(&f);
    }
}

TEST(listen, a_value_that_is_expected_and_cannot_be_computed_is_an_error_of_the_task)
{
    static const struct {
        const char *filter, *detail;
    } rows[] = {
        { "{ with: { subject: '${ $input.x }' } }",
          "the value that 'subject' of a message must have is null" },
        { "{ with: { subject: '${ $input | .[0] }' } }", "Cannot index object with number" },
        { "{ with: { type: t }, correlate: { order: { from: .id, expect: '${ $input.x }' } } }",
          "the value that 'order' of a message must have is null" },
        { "{ with: { type: t }, correlate: { order: { from: .id, expect: '${ .[0] }' } } }",
          "Cannot index object with number" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        char tasks[300];
        (void)snprintf(tasks, sizeof tasks, "  - a: { listen: { to: { one: %s } } }\n",
                       rows[i].filter);
        fixture_open(&f, tasks);
        fixture_start(&f, "{\"s\":1}");
        EXPECT_STATUS(f, "faulted");
        EXPECT_CONTAINS(fixture_text(&f, f.t.error), rows[i].detail);
        EXPECT_INT(f.t.bookmark_count, 0);
        EXPECT_INT(f.t.subscription_count, 0);
        EXPECT_INT(f.t.bookmark_end_count, 0);
        fixture_close(&f);
    }
}

/* ------------------------------------------------------------------ any */

TEST(listen, any_ends_with_the_first_message_of_one_of_its_filters)
{
    fixture f;
    fixture_open(&f, "  - a: { listen: { to: { any: [ { with: { type: b } }, { with: { type: c } } "
                     "] } } }\n");
    fixture_start(&f, "null");
    EXPECT_STR(f.t.bookmarks[0].message_type, "b, c");
    EXPECT_INT(f.t.subscription_count, 2);
    EXPECT_STR(f.t.subscriptions[0].matcher.type, "b");
    EXPECT_STR(f.t.subscriptions[1].matcher.type, "c");
    EXPECT_INT(f.t.subscriptions[1].ordinal, 1);
    hear(&f, 1, 1, "d", "0");
    expect_refused(&f, PAWL_NOT_FOUND);
    hear(&f, 1, 2, "c", "3");
    expect_closed(&f, 1, "a-1", true);
    EXPECT_OUTPUT(f, "[3]");
    fixture_close(&f);
}

TEST(listen, any_of_no_filters_is_every_message)
{
    fixture f;
    fixture_open(&f, "  - a: { listen: { to: { any: [] } } }\n");
    fixture_start(&f, "null");
    EXPECT_STR(f.t.bookmarks[0].message_type, "");
    EXPECT_INT(f.t.subscription_count, 1);
    EXPECT_STR(f.t.subscriptions[0].matcher.type, "");
    EXPECT_STR(f.t.subscriptions[0].matcher.parts, "[]");
    hear(&f, 1, 1, "whatever", "true");
    EXPECT_OUTPUT(f, "[true]");
    fixture_close(&f);
}

TEST(listen, until_is_asked_after_each_message_of_all_so_far)
{
    fixture f;
    fixture_open(&f, "  - a: { listen: { to: { any: [], until: '(. | length) > 2' } } }\n");
    fixture_start(&f, "null");
    hear(&f, 1, 1, "t", "1");
    EXPECT_STATUS(f, "waiting");
    EXPECT_TEXT(fixture_entries(&f), "message.consumed /do/0/a");
    EXPECT_INT(f.t.bookmark_end_count, 0);
    EXPECT_INT(f.t.subscription_count, 0);
    hear(&f, 1, 2, "t", "2");
    EXPECT_STATUS(f, "waiting");
    EXPECT_CONTAINS(waits(&f), "\"listens\":{\"to\":\"any\",\"types\":[],\"heard\":2}");
    hear(&f, 1, 3, "t", "3");
    expect_closed(&f, 1, "a-1", true);
    EXPECT_OUTPUT(f, "[1,2,3]");
    fixture_close(&f);
}

TEST(listen, an_until_that_fails_is_an_error_of_the_task)
{
    fixture f;
    fixture_open(&f, "  - a:\n"
                     "      try: [ { b: { listen: { to: { any: [], until: '.[0].x > 1' } } } } ]\n"
                     "      catch: { do: [ { c: { set: { caught: true } } } ] }\n");
    fixture_start(&f, "null");
    hear(&f, 2, 1, "t", "1");
    expect_taken(&f, 2, 1);
    expect_closed(&f, 2, "b-2", false);
    EXPECT_OUTPUT(f, "{\"caught\":true}");
    fixture_close(&f);
}

TEST(listen, until_heard_ends_it_and_is_no_part_of_the_output)
{
    fixture f;
    fixture_open(&f, "  - a:\n"
                     "      listen:\n"
                     "        to:\n"
                     "          any: [ { with: { type: b } } ]\n"
                     "          until: { one: { with: { type: done } } }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.subscription_count, 2);
    EXPECT_INT(f.t.subscriptions[1].ordinal, 1);
    EXPECT_STR(f.t.subscriptions[1].matcher.type, "done");
    EXPECT_STR(f.t.bookmarks[0].payload,
               "{\"to\":\"any\",\"types\":[\"b\"],\"until\":[\"done\"]}");
    hear(&f, 1, 1, "b", "1");
    hear(&f, 1, 2, "b", "2");
    EXPECT_STATUS(f, "waiting");
    hear(&f, 1, 3, "done", "9");
    EXPECT_CONTAINS(fixture_text(&f, f.t.entries), "\"number\":3,\"until\":true,");
    expect_closed(&f, 1, "a-1", true);
    EXPECT_OUTPUT(f, "[1,2]");
    fixture_close(&f);
}

TEST(listen, until_all_are_heard)
{
    fixture f;
    fixture_open(&f, "  - a:\n"
                     "      listen:\n"
                     "        to:\n"
                     "          any: []\n"
                     "          until: { all: [ { with: { type: x } }, { with: { type: y } } ] }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.subscription_count, 3);
    hear(&f, 1, 1, "y", "1"); /* of until, though it fits both */
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.subscription_end_count, 1);
    EXPECT_INT(f.t.subscription_ends[0].ordinal, 2);
    hear(&f, 1, 2, "y", "2"); /* satisfied already: this one is heard */
    EXPECT_STATUS(f, "waiting");
    hear(&f, 1, 3, "x", "3");
    EXPECT_OUTPUT(f, "[2]");
    fixture_close(&f);
}

TEST(listen, for_ever_keeps_nothing)
{
    fixture f;
    fixture_open(&f, "  - a: { listen: { to: { any: [], until: '${ false }' } } }\n");
    fixture_start(&f, "null");
    for (uint64_t i = 1; i <= 50; i++) {
        hear(&f, 1, i, "t", "\"some text that would be seen\"");
        expect_taken(&f, 1, i);
        EXPECT(strstr(fixture_text(&f, f.t.state_text), "some text") == NULL);
    }
    EXPECT_CONTAINS(waits(&f), "\"heard\":50");
    EXPECT(f.t.state_text.len < 300);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ all */

TEST(listen, all_waits_for_each_filter_once_and_gives_the_order_of_arrival)
{
    fixture f;
    fixture_open(&f, "  - a: { listen: { to: { all: [ { with: { type: b } }, { with: { type: c } }, "
                     "{ with: { type: d } } ] } } }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.subscription_count, 3);
    hear(&f, 1, 1, "d", "1");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.subscription_end_count, 1);
    EXPECT_INT(f.t.subscription_ends[0].visit, 1);
    EXPECT_INT(f.t.subscription_ends[0].ordinal, 2);
    hear(&f, 1, 2, "d", "2"); /* satisfied: free for others */
    expect_refused(&f, PAWL_NOT_FOUND);
    hear(&f, 1, 3, "b", "3");
    EXPECT_STATUS(f, "waiting");
    hear(&f, 1, 4, "c", "4");
    expect_closed(&f, 1, "a-1", true);
    EXPECT_OUTPUT(f, "[1,3,4]");
    fixture_close(&f);
}

TEST(listen, a_message_satisfies_only_the_first_open_filter_of_all)
{
    fixture f;
    fixture_open(&f, "  - a: { listen: { to: { all: [ { with: { type: b } }, { with: { type: b } } "
                     "] } } }\n");
    fixture_start(&f, "null");
    hear(&f, 1, 1, "b", "1");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.subscription_ends[0].ordinal, 0);
    hear(&f, 1, 2, "b", "2");
    EXPECT_OUTPUT(f, "[1,2]");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ correlation */

TEST(listen, what_is_expected_is_in_the_hash_and_checked)
{
    fixture f;
    fixture_open(&f, "  - a:\n"
                     "      listen:\n"
                     "        to:\n"
                     "          one:\n"
                     "            with: { type: paid }\n"
                     "            correlate: { order: { from: .data.order, expect: '${ .id }' } }\n");
    fixture_start(&f, "{\"id\":7}");
    EXPECT_STR(f.t.subscriptions[0].matcher.parts, "[{\"x\":\".data.order\"}]");
    EXPECT_STR(f.t.bookmarks[0].payload,
               "{\"to\":\"one\",\"types\":[\"paid\"],\"correlation\":{\"order\":7}}");
    EXPECT_CONTAINS(waits(&f), "\"correlation\":{\"order\":7}");
    EXPECT_INT(f.t.event_count, 2);
    EXPECT_STR(f.t.events[1].type, "io.serverlessworkflow.workflow.correlation-started.v1");
    EXPECT_CONTAINS(fixture_text(&f, f.t.events[1].payload),
                    "\"startedAt\":\"2026-09-21T14:13:20.000Z\"");
    hear(&f, 1, 1, "paid", "{\"order\":8}");
    expect_refused(&f, PAWL_NOT_FOUND);
    hear(&f, 1, 1, "paid", "{\"n\":1}");
    expect_refused(&f, PAWL_NOT_FOUND);
    hear(&f, 1, 2, "paid", "{\"order\":7.0}"); /* a number by its value */
    EXPECT_OUTPUT(f, "[{\"order\":7.0}]");
    EXPECT_STR(f.t.events[0].type, "io.serverlessworkflow.workflow.correlation-completed.v1");
    EXPECT_CONTAINS(fixture_text(&f, f.t.events[0].payload), "\"completedAt\":");
    EXPECT_CONTAINS(fixture_text(&f, f.t.events[0].payload), "\"correlationKeys\":{\"order\":7}");
    fixture_close(&f);
}

#define ROOM                                                                                       \
    "  - a:\n"                                                                                     \
    "      listen:\n"                                                                              \
    "        to:\n"                                                                                \
    "          all:\n"                                                                             \
    "            - { with: { type: t }, correlate: { room: { from: .data.room } } }\n"             \
    "            - { with: { type: h }, correlate: { room: { from: .data.room } } }\n"

TEST(listen, the_first_value_seen_is_expected_of_the_others)
{
    fixture f;
    fixture_open(&f, ROOM);
    fixture_start(&f, "null");
    EXPECT_STR(f.t.subscriptions[1].matcher.parts, "[]");
    const char *before = fixture_text(&f, f.t.subscriptions[1].hash);
    hear(&f, 1, 1, "t", "{\"room\":null}"); /* nothing is correlated with nothing */
    expect_refused(&f, PAWL_NOT_FOUND);
    hear(&f, 1, 1, "t", "{\"room\":\"r1\"}");
    expect_taken(&f, 1, 1);
    EXPECT_CONTAINS(fixture_text(&f, f.t.entries), "\"number\":1,\"correlation\":{\"room\":\"r1\"}");
    /* the first filter is satisfied; the subscription of the other one becomes narrower */
    EXPECT_INT(f.t.subscription_end_count, 2);
    EXPECT_INT(f.t.subscription_ends[0].ordinal, 0);
    EXPECT_INT(f.t.subscription_ends[1].ordinal, 1);
    EXPECT_INT(f.t.subscription_count, 1);
    EXPECT_INT(f.t.subscriptions[0].ordinal, 1);
    EXPECT_STR(f.t.subscriptions[0].matcher.type, "h");
    EXPECT_STR(f.t.subscriptions[0].matcher.parts, "[{\"x\":\".data.room\"}]");
    EXPECT(strcmp(fixture_text(&f, f.t.subscriptions[0].hash), before) != 0);
    EXPECT_CONTAINS(waits(&f), "\"correlation\":{\"room\":\"r1\"}");
    hear(&f, 1, 2, "h", "{\"room\":\"r2\"}");
    expect_refused(&f, PAWL_NOT_FOUND);
    hear(&f, 1, 3, "h", "{\"room\":\"r1\"}");
    expect_closed(&f, 1, "a-1", true);
    EXPECT_OUTPUT(f, "[{\"room\":\"r1\"},{\"room\":\"r1\"}]");
    fixture_close(&f);
}

TEST(listen, a_key_belongs_to_one_listen_and_not_to_the_instance)
{
    fixture f;
    fixture_open(&f, "  - loop:\n"
                     "      for: { each: n, in: '[1, 2]' }\n"
                     "      do:\n"
                     "        - b: { listen: { to: { one: { with: { type: t }, correlate: { k: { "
                     "from: .data } } } } } }\n");
    fixture_start(&f, "null");
    hear(&f, 2, 1, "t", "1");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.bookmark_count, 1); /* of the second round: the first one has closed */
    EXPECT_STR(f.t.bookmarks[0].key, "b-3");
    EXPECT_INT(f.t.subscription_count, 1);
    EXPECT_STR(f.t.subscriptions[0].matcher.parts, "[]");
    EXPECT_INT(f.t.subscription_end_count, 0);
    hear(&f, 3, 2, "t", "2"); /* another value */
    EXPECT_OUTPUT(f, "[2]");
    fixture_close(&f);
}

TEST(listen, a_key_that_the_instance_computes_is_checked_and_never_in_the_hash)
{
    fixture f;
    fixture_open(&f, "  - a:\n"
                     "      listen:\n"
                     "        to:\n"
                     "          any: [ { with: { type: t }, correlate: { k: { from: '${ .data + "
                     "$input }' } } } ]\n"
                     "          until: length == 2\n");
    fixture_start(&f, "10");
    hear(&f, 1, 1, "t", "1");
    EXPECT_INT(f.t.subscription_count, 0);
    EXPECT_INT(f.t.subscription_end_count, 0);
    EXPECT_CONTAINS(waits(&f), "\"correlation\":{\"k\":11}");
    hear(&f, 1, 2, "t", "2");
    expect_refused(&f, PAWL_NOT_FOUND);
    hear(&f, 1, 3, "t", "1");
    EXPECT_OUTPUT(f, "[1,1]");
    fixture_close(&f);
}

TEST(listen, until_shares_the_keys_of_its_listen)
{
    fixture f;
    fixture_open(&f, "  - a:\n"
                     "      listen:\n"
                     "        to:\n"
                     "          any: [ { with: { type: t }, correlate: { k: { from: .data } } } ]\n"
                     "          until: { one: { with: { type: u }, correlate: { k: { from: .data } } "
                     "} }\n");
    fixture_start(&f, "null");
    hear(&f, 1, 1, "t", "1");
    EXPECT_INT(f.t.subscription_end_count, 2);
    EXPECT_INT(f.t.subscription_count, 2);
    EXPECT_INT(f.t.subscriptions[1].ordinal, 1);
    EXPECT_STR(f.t.subscriptions[1].matcher.type, "u");
    hear(&f, 1, 2, "u", "2");
    expect_refused(&f, PAWL_NOT_FOUND);
    hear(&f, 1, 3, "t", "2");
    expect_refused(&f, PAWL_NOT_FOUND);
    hear(&f, 1, 4, "t", "1");
    EXPECT_INT(f.t.subscription_count, 0); /* narrow already */
    hear(&f, 1, 5, "u", "1");
    EXPECT_OUTPUT(f, "[1,1]");
    fixture_close(&f);
}

TEST(listen, each_filter_has_its_own_expectations_behind_those_of_others)
{
    fixture f;
    fixture_open(&f, "  - a:\n"
                     "      listen:\n"
                     "        to:\n"
                     "          any:\n"
                     "            - { with: { type: t, subject: '${ $input.one }' } }\n"
                     "            - { with: { type: u, subject: '${ $input.two }' } }\n"
                     "          until: { one: { with: { type: v, subject: '${ $input.three }' } } }\n");
    fixture_start(&f, "{\"one\":1,\"two\":2,\"three\":3}");
    static const struct {
        const char *message;
        bool fits;
    } rows[] = {
        { "{\"type\":\"t\",\"subject\":2}", false }, { "{\"type\":\"t\",\"subject\":1}", true },
        { "{\"type\":\"u\",\"subject\":1}", false }, { "{\"type\":\"u\",\"subject\":2}", true },
        { "{\"type\":\"v\",\"subject\":1}", false }, { "{\"type\":\"v\",\"subject\":3}", true },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture_message(&f, 1, i + 1, rows[i].message);
        EXPECT_INT(f.t.changed, rows[i].fits);
        if (f.t.changed)
            fixture_reload(&f);
    }
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

TEST(listen, a_key_stays_what_it_was_first)
{
    fixture f;
    fixture_open(&f,
                 "  - a:\n"
                 "      listen:\n"
                 "        to:\n"
                 "          any:\n"
                 "            - { with: { type: t }, correlate: { k: { from: .data } } }\n"
                 "            - { with: { type: u }, correlate: { k: { from: .data, expect: x } } }\n"
                 "          until: length == 3\n");
    fixture_start(&f, "null");
    hear(&f, 1, 1, "t", "1");
    hear(&f, 1, 2, "u", "\"x\"");
    EXPECT(strstr(fixture_text(&f, f.t.entries), "\"correlation\"") == NULL);
    hear(&f, 1, 3, "t", "\"x\"");
    expect_refused(&f, PAWL_NOT_FOUND);
    hear(&f, 1, 4, "t", "1");
    EXPECT_OUTPUT(f, "[1,\"x\",1]");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ foreach */

#define EACH                                                                                       \
    "  - a:\n"                                                                                     \
    "      listen: { to: { any: [], until: length == 2 } }\n"                                      \
    "      foreach:\n"                                                                             \
    "        item: m\n"                                                                            \
    "        at: i\n"                                                                              \
    "        do: [ { job: { call: work, with: { m: '${ $m }', i: '${ $i }', in: '${ . }' } } } ]\n" \
    "        output: { as: '${ { was: ., at: $i } }' }\n"                                          \
    "        export: { as: '${ [$context, .at, $output.at] }' }\n"

TEST(listen, foreach_runs_for_one_message_at_a_time)
{
    fixture f;
    fixture_open(&f, EACH);
    fixture_start(&f, "\"in\"");
    hear(&f, 1, 1, "t", "\"x\"");
    expect_taken(&f, 1, 1);
    EXPECT_INT(f.t.work_count, 1);
    EXPECT_STR(f.t.work[0].input, "{\"m\":\"x\",\"i\":0,\"in\":\"in\"}");
    EXPECT_INT(f.t.bookmark_end_count, 0);
    EXPECT(!pw_state_hears(f.state));
    uint64_t job = f.t.work[0].visit;
    hear(&f, 1, 2, "t", "\"y\""); /* waits its turn */
    expect_refused(&f, PAWL_BUSY);
    EXPECT_CONTAINS(waits(&f), "\"kind\":\"activity\"");
    fixture_result(&f, job, 1, "\"done\"");
    EXPECT_STATUS(f, "waiting");
    EXPECT(pw_state_hears(f.state));
    hear(&f, 1, 2, "t", "\"y\"");
    EXPECT_STR(f.t.work[0].input, "{\"m\":\"y\",\"i\":1,\"in\":\"in\"}");
    EXPECT(f.t.work[0].visit != job);
    job = f.t.work[0].visit;
    fixture_reload(&f);
    fixture_result(&f, job, 1, "\"too\"");
    expect_closed(&f, 1, "a-1", true);
    EXPECT_OUTPUT(f, "[{\"was\":\"done\",\"at\":0},{\"was\":\"too\",\"at\":1}]");
    fixture_close(&f);
}

TEST(listen, foreach_exports_after_each_message)
{
    fixture f;
    fixture_open(&f, EACH "      output: { as: $context }\n");
    fixture_start(&f, "1");
    hear(&f, 1, 1, "t", "1");
    fixture_reload(&f);
    fixture_result(&f, f.t.work[0].visit, 1, "1");
    hear(&f, 1, 2, "t", "2");
    fixture_reload(&f);
    fixture_result(&f, f.t.work[0].visit, 1, "1");
    EXPECT_OUTPUT(f, "[[null,0,0],1,1]");
    fixture_close(&f);
}

TEST(listen, foreach_without_tasks_shapes_the_messages)
{
    fixture f;
    fixture_open(&f, "  - a:\n"
                     "      listen: { to: { any: [], until: length == 2 } }\n"
                     "      foreach: { output: { as: '{ n: ., i: $index, m: $item }' } }\n");
    fixture_start(&f, "null");
    hear(&f, 1, 1, "t", "5");
    EXPECT_STATUS(f, "waiting");
    hear(&f, 1, 2, "t", "6");
    EXPECT_OUTPUT(f, "[{\"n\":5,\"i\":0,\"m\":5},{\"n\":6,\"i\":1,\"m\":6}]");
    fixture_close(&f);
}

TEST(listen, foreach_runs_for_one_message_and_for_all)
{
    fixture f;
    fixture_open(&f, "  - a:\n"
                     "      listen: { to: { one: { with: { type: b } } } }\n"
                     "      foreach: { do: [ { c: { set: { one: '${ $item }' } } } ] }\n"
                     "  - d:\n"
                     "      listen: { to: { all: [ { with: { type: b } }, { with: { type: c } } ] } }\n"
                     "      foreach: { do: [ { c: { set: { all: '${ $item }', was: '${ $input }' } } "
                     "} ] }\n");
    fixture_start(&f, "null");
    hear(&f, 1, 1, "b", "1");
    EXPECT_STATUS(f, "waiting");
    hear(&f, 3, 2, "c", "2");
    hear(&f, 3, 3, "b", "3");
    EXPECT_OUTPUT(f, "[{\"all\":2,\"was\":[{\"one\":1}]},{\"all\":3,\"was\":[{\"one\":1}]}]");
    fixture_close(&f);
}

TEST(listen, foreach_may_leave_an_item_the_listen_or_the_workflow)
{
    static const struct {
        const char *then, *output;
    } rows[] = {
        { "continue", "[{\"n\":3},{\"n\":3}]" },
        { "exit", "[{\"n\":1},{\"n\":1}]" },
        { "end", "{\"n\":1}" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        fixture f;
        char tasks[400];
        (void)snprintf(tasks, sizeof tasks,
                       "  - a:\n"
                       "      listen: { to: { any: [], until: length == 2 } }\n"
                       "      foreach: { do: [ { b: { set: { n: 1 }, then: %s } }, { c: { set: { n: "
                       "3 } } } ] }\n",
                       rows[i].then);
        fixture_open(&f, tasks);
        fixture_start(&f, "null");
        hear(&f, 1, 1, "t", "1");
        if (pw_state_status(f.state) == PW_WAITING)
            hear(&f, 1, 2, "t", "2");
        EXPECT_STATUS(f, "completed");
        expect_closed(&f, 1, "a-1", true);
        EXPECT_OUTPUT(f, rows[i].output);
        fixture_close(&f);
    }
}

TEST(listen, an_error_in_foreach_that_is_caught_inside_leaves_the_listen_open)
{
    fixture f;
    fixture_open(&f, "  - a:\n"
                     "      listen: { to: { any: [], until: length == 2 } }\n"
                     "      foreach:\n"
                     "        do:\n"
                     "          - b:\n"
                     "              try: [ { c: { call: work } } ]\n"
                     "              catch: { do: [ { d: { set: { bad: '${ $item }' } } } ] }\n");
    fixture_start(&f, "null");
    hear(&f, 1, 1, "t", "1");
    fixture_reload(&f);
    fixture_failed(&f, f.t.work[0].visit, 1, "{\"status\":500}");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.bookmark_end_count, 0);
    hear(&f, 1, 2, "t", "2");
    fixture_reload(&f);
    fixture_result(&f, f.t.work[0].visit, 1, "\"good\"");
    EXPECT_OUTPUT(f, "[{\"bad\":1},\"good\"]");
    fixture_close(&f);
}

TEST(listen, an_error_in_foreach_that_is_caught_outside_closes_it)
{
    fixture f;
    fixture_open(&f, "  - safe:\n"
                     "      try:\n"
                     "        - a:\n"
                     "            listen: { to: { any: [], until: length == 2 } }\n"
                     "            foreach: { do: [ { c: { call: work } } ] }\n"
                     "      catch: { do: [ { d: { wait: PT1S } } ] }\n");
    fixture_start(&f, "null");
    hear(&f, 2, 1, "t", "1");
    fixture_reload(&f);
    fixture_failed(&f, f.t.work[0].visit, 1, "{\"status\":500}");
    EXPECT_STATUS(f, "waiting");
    expect_closed(&f, 2, "a-2", false);
    EXPECT_TEXT(fixture_entries(&f),
                "task.faulted /do/0/safe/try/0/a/foreach/do/0/c; task.faulted "
                "/do/0/safe/try/0/a; task.caught /do/0/safe; task.started "
                "/do/0/safe/catch/do/0/d");
    hear(&f, 2, 2, "t", "2");
    expect_refused(&f, PAWL_NOT_FOUND);
    fixture_close(&f);
}

TEST(listen, an_error_in_foreach_that_nobody_catches_leaves_it_open)
{
    fixture f;
    fixture_open(&f, "  - a:\n"
                     "      listen: { to: { any: [], until: length == 2 } }\n"
                     "      foreach: { do: [ { c: { call: work } } ] }\n");
    fixture_start(&f, "null");
    hear(&f, 1, 1, "t", "1");
    fixture_reload(&f);
    fixture_failed(&f, f.t.work[0].visit, 1, "{\"status\":500}");
    EXPECT_STATUS(f, "faulted");
    EXPECT_INT(f.t.bookmark_end_count, 0);
    hear(&f, 1, 2, "t", "2");
    expect_refused(&f, PAWL_BUSY);
    fixture_command(&f, PW_EVENT_RETRY, "ann", "");
    EXPECT_INT(f.t.work_count, 1);
    EXPECT_STR(f.t.work[0].input, "{}");
    fixture_result(&f, f.t.work[0].visit, 1, "\"x\"");
    hear(&f, 1, 2, "t", "2");
    fixture_result(&f, f.t.work[0].visit, 1, "\"y\"");
    EXPECT_OUTPUT(f, "[\"x\",\"y\"]");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ closed from outside */

TEST(listen, an_output_that_cannot_be_made_faults_with_the_message_taken)
{
    fixture f;
    fixture_open(&f, "  - a: { listen: { to: { any: [] } }, output: { as: .pets } }\n");
    fixture_start(&f, "null");
    hear(&f, 1, 1, "t", "1");
    EXPECT_STATUS(f, "faulted");
    expect_taken(&f, 1, 1);
    EXPECT_TEXT(fixture_entries(&f),
                "message.consumed /do/0/a; task.faulted /do/0/a; instance.faulted");
    expect_closed(&f, 1, "a-1", true);
    fixture_close(&f);
}

TEST(listen, a_timeout_ends_it_and_is_caught_like_any_error)
{
    fixture f;
    fixture_open(&f, "  - safe:\n"
                     "      try:\n"
                     "        - a: { listen: { to: { any: [], until: length == 2 } }, timeout: { "
                     "after: PT5S } }\n"
                     "      catch: { errors: { with: { status: 408 } }, do: [ { b: { set: { late: "
                     "true } } } ] }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.timer_at, T0 + 5000);
    EXPECT_INT(f.t.wake_at, T0 + 5000);
    hear(&f, 2, 1, "t", "1");
    EXPECT_INT(f.t.timer_at, T0 + 5000);
    fixture_reload(&f);
    fixture_timer(&f, T0 + 5000);
    expect_closed(&f, 2, "a-2", false);
    EXPECT_OUTPUT(f, "{\"late\":true}");
    fixture_close(&f);
}

TEST(listen, a_timeout_while_foreach_runs_ends_what_runs_too)
{
    fixture f;
    fixture_open(&f, "  - safe:\n"
                     "      try:\n"
                     "        - a:\n"
                     "            listen: { to: { any: [], until: length == 2 } }\n"
                     "            foreach: { do: [ { c: { call: work } } ] }\n"
                     "            timeout: { after: PT5S }\n"
                     "      catch: { do: [ { b: { set: { late: true } } } ] }\n");
    fixture_start(&f, "null");
    hear(&f, 2, 1, "t", "1");
    fixture_reload(&f);
    fixture_timer(&f, T0 + 5000);
    expect_closed(&f, 2, "a-2", false);
    EXPECT_INT(f.t.work_count, 1);
    EXPECT(f.t.work[0].cancel);
    EXPECT_OUTPUT(f, "{\"late\":true}");
    fixture_close(&f);
}

TEST(listen, the_loser_of_a_race_hears_nothing_more)
{
    fixture f;
    fixture_open(&f, "  - race:\n"
                     "      fork:\n"
                     "        compete: true\n"
                     "        branches:\n"
                     "          - left: { listen: { to: { one: { with: { type: l } } } } }\n"
                     "          - right:\n"
                     "              listen: { to: { any: [ { with: { type: r } } ], until: '${ false "
                     "}' } }\n"
                     "              foreach: { do: [ { c: { call: work } } ] }\n"
                     "  - after: { wait: PT1S }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.bookmark_count, 2);
    hear(&f, 3, 1, "r", "1"); /* right is at work */
    EXPECT_INT(f.t.work_count, 1);
    hear(&f, 2, 2, "l", "2");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.bookmark_end_count, 2);
    EXPECT_STR(f.t.bookmark_ends[0].key, "left-2");
    EXPECT(f.t.bookmark_ends[0].consumed);
    EXPECT_STR(f.t.bookmark_ends[1].key, "right-3");
    EXPECT(!f.t.bookmark_ends[1].consumed);
    EXPECT(f.t.work[0].cancel);
    hear(&f, 3, 3, "r", "3");
    expect_refused(&f, PAWL_NOT_FOUND);
    fixture_close(&f);
}

TEST(listen, what_is_opened_and_closed_in_one_step_is_never_opened)
{
    fixture f;
    fixture_open(&f, "  - race:\n"
                     "      fork:\n"
                     "        compete: true\n"
                     "        branches:\n"
                     "          - left: { listen: { to: { all: [ { with: { type: l } }, { with: { "
                     "type: m } } ] } } }\n"
                     "          - right: { set: { won: right } }\n");
    fixture_start(&f, "null");
    EXPECT_OUTPUT(f, "{\"won\":\"right\"}");
    EXPECT_INT(f.t.bookmark_count, 0);
    EXPECT_INT(f.t.bookmark_end_count, 0);
    EXPECT_INT(f.t.subscription_count, 0);
    EXPECT_INT(f.t.subscription_end_count, 0);
    fixture_close(&f);
}

TEST(listen, what_listens_beside_a_fault_keeps_its_place)
{
    fixture f;
    fixture_open(&f, "  - both:\n"
                     "      fork:\n"
                     "        branches:\n"
                     "          - left: { listen: { to: { any: [], until: length == 2 } } }\n"
                     "          - mid:\n"
                     "              listen: { to: { any: [], until: length == 2 } }\n"
                     "              foreach: { do: [ { c: { call: work } } ] }\n"
                     "          - right: { call: work }\n");
    fixture_start(&f, "null");
    uint64_t right = f.t.work[0].visit;
    hear(&f, 2, 1, "t", "1");
    hear(&f, 3, 2, "t", "1");
    fixture_reload(&f);
    fixture_failed(&f, right, 1, "{\"status\":500}");
    EXPECT_STATUS(f, "faulted");
    EXPECT_INT(f.t.bookmark_end_count, 0);
    fixture_reload(&f); /* and it can be read */
    hear(&f, 2, 3, "t", "1");
    expect_refused(&f, PAWL_BUSY);
    EXPECT(!pw_state_hears(f.state));
    fixture_command(&f, PW_EVENT_RETRY, "ann", "");
    EXPECT(pw_state_hears(f.state));
    hear(&f, 2, 3, "t", "1");
    EXPECT_TEXT(fixture_entries(&f),
                "message.consumed /do/0/both/fork/branches/0/left; task.completed "
                "/do/0/both/fork/branches/0/left");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ what is stored */

TEST(listen, a_state_that_breaks_a_promise_is_corrupt)
{
    fixture f;
    fixture_open(&f, "  - a:\n"
                     "      listen:\n"
                     "        to:\n"
                     "          all:\n"
                     "            - { with: { type: b, subject: '${ $input.s }' } }\n"
                     "            - { with: { type: c } }\n"
                     "            - { with: { type: d }, correlate: { k: { from: .data } } }\n"
                     "      foreach: { do: [ { e: { call: work } } ] }\n");
    fixture_start(&f, "{\"s\":\"x\"}");
    hear(&f, 1, 1, "d", "7");
    fixture_reload(&f);
    fixture_result(&f, f.t.work[0].visit, 1, "\"out\"");
    static const struct {
        const char *what, *by;
        pawl_code code;
    } rows[] = {
        { "\"i\":1,", "\"i\":1,", PAWL_OK },
        { "\"i\":1,", "\"i\":2,", PAWL_CORRUPT }, /* more heard than put out */
        { "\"i\":1,", "", PAWL_CORRUPT },
        { "\"e\":[\"x\"]", "\"e\":[]", PAWL_CORRUPT }, /* what is expected is missing */
        { "\"e\":[\"x\"]", "\"e\":[\"x\",1]", PAWL_CORRUPT },
        { "\"e\":[\"x\"]", "\"e\":\"x\"", PAWL_CORRUPT },
        { "\"e\":[\"x\"]", "\"q\":1", PAWL_CORRUPT },
        { "\"e\":[\"x\"]", "\"e\":[1]", PAWL_OK },
        { "\"k\":{\"k\":7}", "\"k\":{}", PAWL_OK },
        { "\"k\":{\"k\":7}", "\"k\":7", PAWL_CORRUPT },
        { "\"f\":[2]", "\"f\":[1]", PAWL_OK },
        { "\"f\":[2]", "\"f\":[3]", PAWL_CORRUPT }, /* no such filter */
        { "\"f\":[2]", "\"f\":[-1]", PAWL_CORRUPT },
        { "\"f\":[2]", "\"f\":[2,2]", PAWL_CORRUPT },
        { "\"f\":[2]", "\"f\":[\"2\"]", PAWL_CORRUPT },
        { "\"f\":[2]", "\"f\":2", PAWL_CORRUPT },
        { "\"o\":[[\"out\"]]", "\"o\":[[1]]", PAWL_OK },
        { "\"o\":[[\"out\"]]", "\"o\":[]", PAWL_CORRUPT },
        { "\"o\":[[\"out\"]]", "\"o\":[\"out\"]", PAWL_CORRUPT },
        { "\"o\":[[\"out\"]]", "\"o\":[[\"out\"],[]]", PAWL_OK },
        { "\"o\":[[\"out\"]]", "\"o\":[[],[\"out\"]]", PAWL_CORRUPT },
        { "\"o\":[[\"out\"]]", "\"o\":[[\"out\",1]]", PAWL_CORRUPT },
        { "\"o\":[[\"out\"]]", "\"m\":1,\"o\":[[\"out\"]]", PAWL_CORRUPT }, /* it runs for none */
        { "\"a\":{", "\"b\":{", PAWL_CORRUPT },
        { ",\"k\":\"a-1\"", "", PAWL_CORRUPT }, /* no bookmark */
        { "\"p\":10", "\"p\":1", PAWL_CORRUPT },  /* at work for no message */
        { "\"p\":10", "\"p\":11", PAWL_CORRUPT },
        { "\"p\":10", "\"p\":10,\"d\":5", PAWL_CORRUPT }, /* it has no time of its own */
        { "\"p\":10", "\"p\":10,\"it\":[[1]]", PAWL_CORRUPT }, /* nobody asks for messages */
    };
    const char *text = fixture_text(&f, f.t.state_text);
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        const char *at = strstr(text, rows[i].what);
        if (!at)
            fail_msg("no %s in %s", rows[i].what, text);
        pw_str changed = pw_arena_printf(&f.arena, "%.*s%s%s", (int)(at - text), text, rows[i].by,
                                         at + strlen(rows[i].what));
        pw_state *state;
        pawl_error err;
        pawl_code code = pw_state_parse(&state, changed, f.program, NULL, &f.arena, &err);
        if (code != rows[i].code)
            fail_msg("%s for %s: %s", rows[i].by, rows[i].what, pawl_code_name(code));
    }
    fixture_close(&f);
}

/* Of the step that opens, of one that fixes a key, and of what is shown to people. */
TEST(listen, running_out_of_memory_at_any_allocation_leaves_the_old_state)
{
    static const pw_event_kind kinds[] = { PW_EVENT_START, PW_EVENT_MESSAGE };
    fixture f;
    fixture_open(&f, ROOM);
    for (size_t i = 0; i < PW_LENGTH(kinds); i++) {
        pw_event event = { .kind = kinds[i], .now_ms = T0, .seed = 1, .payload = pw_null() };
        pawl_error err;
        if (event.kind == PW_EVENT_MESSAGE) {
            fixture_start(&f, "null");
            event.visit = event.number = 1;
            EXPECT_OK(pw_json_parse(&event.payload,
                                    PW_LIT("{\"type\":\"t\",\"data\":{\"room\":1}}"), NULL, &f.arena,
                                    &err),
                      err);
        }
        uint64_t n = 0;
        for (pawl_code code = PAWL_NO_MEMORY; code != PAWL_OK; EXPECT(n < 10000)) {
            pw_arena arena;
            pw_arena_init(&arena, 0);
            pw_transition t;
            pw_alloc_fail_after(++n);
            code = pw_core_step(&t, f.program, f.state, &f.identity, &event, &f.settings, f.machine,
                                &arena, &err);
            pw_alloc_fail_after(0);
            EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY);
            if (code == PAWL_OK)
                EXPECT_INT(t.subscription_count, i == 0 ? 2 : 1);
            pw_arena_done(&arena);
        }
        EXPECT(n > 1);
    }
    const char *whole = waits(&f);
    pw_str shown = { NULL, 0 };
    for (uint64_t n = 1; !shown.ptr || strcmp(shown.ptr, whole) != 0; n++) {
        EXPECT(n < 1000);
        pw_alloc_fail_after(n);
        pw_value all = pw_state_waits(f.state, f.program, &f.arena);
        pw_alloc_fail_after(0);
        shown = pw_arena_str(&f.arena, pw_json_text(&f.arena, all, PW_JSON_COMPACT));
    }
    fixture_close(&f);
}

/* Each message alone would be written again with every later one: that is 2,000 times 2,000 / 2
 * items. */
TEST(listen, many_messages_are_not_written_again_with_each_one)
{
    enum { MESSAGES = 2000, ITEM = 100 };
    fixture f;
    fixture_open(&f, "  - a: { listen: { to: { any: [], until: length == 2000 } } }\n");
    fixture_start(&f, "null");
    char data[ITEM + 1];
    uint64_t states = 0, payloads = 0;
    size_t longest = 0, puts = 0;
    unsigned named = 0; /* lists that a state names, at most */
    for (int i = 1; i <= MESSAGES; i++) {
        (void)snprintf(data, sizeof data, "\"%0*d\"", ITEM - 2, i);
        if (i % 250 == 0)
            hear(&f, 1, (uint64_t)i, "t", data);
        else
            fixture_message(&f, 1, (uint64_t)i,
                            pw_arena_printf(&f.arena, "{\"type\":\"t\",\"data\":%s}", data).ptr);
        if (i == MESSAGES)
            break;
        if (i % 333 == 0) { /* as when a thread makes room: what is put out stays put out */
            pw_state *copy;
            pawl_error err;
            EXPECT_OK(pw_state_copy(&copy, f.state, &f.arena, &err), err);
            f.state = copy;
        }
        EXPECT_STATUS(f, "waiting");
        states += f.t.state_text.len;
        longest = f.t.state_text.len > longest ? f.t.state_text.len : longest;
        unsigned names = 0;
        for (const char *at = fixture_text(&f, f.t.state_text); (at = strstr(at, "$payload")); at++)
            names++;
        named = names > named ? names : named;
        puts += f.t.payload_count;
        for (size_t j = 0; j < f.t.payload_count; j++)
            payloads += f.t.payloads[j].text.len;
    }
    EXPECT_STATUS(f, "completed");
    EXPECT_INT(f.t.output.len, MESSAGES * (ITEM + 1) + 1);
    EXPECT(strncmp(f.t.output.ptr + 1, "\"00", 3) == 0);
    EXPECT_CONTAINS(fixture_text(&f, f.t.output), "0001999\",\"0");
    print_message("# %llu bytes of states, the longest %zu, and %llu of payloads\n",
                  (unsigned long long)states, longest, (unsigned long long)payloads);
    EXPECT(longest < 18 * 1024);
    EXPECT_INT(puts, 12); /* 9 lists, and 3 of four: the fourth is never written alone */
    EXPECT_INT(named, 5); /* 2 of four, and 3 */
    EXPECT(states < (uint64_t)MESSAGES * 10 * 1024);
    EXPECT(payloads < (uint64_t)MESSAGES * ITEM * 4);
    fixture_close(&f);
}

TEST(listen, a_listen_keeps_a_million_messages_and_no_more)
{
    enum { MOST = 1000000 };
    fixture f;
    fixture_open(&f, "  - a: { listen: { to: { any: [], until: length > 1000000 } } }\n");
    fixture_start(&f, "null");
    const char *text = fixture_text(&f, f.t.state_text), *it = strstr(text, "\"it\":[[]]");
    EXPECT(it != NULL);
    for (int heard = MOST - 1; heard <= MOST; heard++) {
        pw_buf buf;
        pw_buf_init(&buf, 0);
        pw_buf_printf(&buf, "%.*s\"i\":%d,\"it\":[[0", (int)(it - text), text, heard);
        for (int i = 1; i < heard; i++)
            pw_buf_text(&buf, ",0");
        pw_buf_printf(&buf, "]]%s", it + strlen("\"it\":[[]]"));
        pawl_error err;
        EXPECT_OK(pw_state_parse(&f.state, pw_buf_view(&buf), f.program, NULL, &f.arena, &err), err);
        pw_buf_done(&buf);
        fixture_message(&f, 1, 1, "{\"type\":\"t\",\"data\":1}");
        EXPECT_STATUS(f, heard < MOST ? "waiting" : "faulted");
    }
    EXPECT_CONTAINS(fixture_text(&f, f.t.error), "\"title\":\"too many messages\"");
    fixture_close(&f);
}

TEST_MAIN()
