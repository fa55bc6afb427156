/* message_test.c - messages reach who listens, in order, once; or are kept, or go back. */
#include "fixture.h"
#include "store/memory/memory.h"

/* ------------------------------------------------------------------ senders */

/* One CloudEvent of type `type`; its data is the number. */
static char *event(char *out, size_t size, const char *type, const char *id, int n)
{
    (void)snprintf(out, size,
                   "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"/test\",\"type\":\"%s\","
                   "\"data\":%d}",
                   id, type, n);
    return out;
}

/* What became of it; to pawl_free. */
static char *publish(fixture *f, const char *events)
{
    char *text = NULL;
    EXPECT_OK(pawl_publish(f->p, events, NULL, &text, &f->err), f->err);
    return text;
}

static void send_one(fixture *f, const char *type, int n, const char *state, int deliveries)
{
    char text[300], id[32], wanted[80];
    (void)snprintf(id, sizeof id, "%s-%d", type, n);
    char *told = publish(f, event(text, sizeof text, type, id, n));
    (void)snprintf(wanted, sizeof wanted, "[\"%s\",%d,false]", state, deliveries);
    EXPECT_ASK(told, ".messages[0] | [.state, .deliveries, .duplicate]", wanted);
    pawl_free(told);
}

/* `count` of one type in one publication, with data from..from+count-1. */
static void send_many(fixture *f, const char *type, int from, int count)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (int i = 0; i < count; i++) {
        char text[300], id[32];
        (void)snprintf(id, sizeof id, "%s-%d", type, from + i);
        pw_buf_text(&buf, i ? "," : "[");
        pw_buf_text(&buf, event(text, sizeof text, type, id, from + i));
    }
    pw_buf_text(&buf, "]");
    char *all = pw_buf_take(&buf);
    pawl_free(publish(f, all));
    pw_free(all);
}

static void settle(fixture *f)
{
    EXPECT_OK(pawl_drain(f->p, WAIT_MS, &f->err), f->err);
}

static const char hears_one[] = "  - hear: {listen: {to: {one: {with: {type: m}}}}}";
static const char hears_n[] =
    "  - hear: {listen: {to: {one: {with: {type: m, data: '${ . % 10 == $input.n }'}}}}}";
/* Two listens in turn, until .n messages were heard; the output is all of them. */
static const char hears_in_turn[] =
    "  - begin: {set: {n: '${ .n }', got: []}}\n"
    "  - left: {listen: {to: {one: {with: {type: m}}}}, output: {as: '${ $input + {got: ($input.got + .)} }'}}\n"
    "  - right: {listen: {to: {one: {with: {type: m}}}}, output: {as: '${ $input + {got: ($input.got + .)} }'}}\n"
    "  - more: {switch: [{again: {when: '(.got | length) < .n', then: left}}, {no: {then: continue}}]}\n"
    "  - done: {set: '${ .got }'}";
static const char hears_until[] =
    "  - hear: {listen: {to: {any: [{with: {type: m}}], until: '${ length >= $input.n }'}}}";

/* ------------------------------------------------------------------ delivered, kept, given back */

TEST(message, a_message_reaches_all_who_listen_and_each_goes_on)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "one", hears_one);
    char *ids[3];
    for (int i = 0; i < 3; i++)
        ids[i] = start(&f, "one", NULL);
    send_one(&f, "m", 7, "delivered", 3);
    for (int i = 0; i < 3; i++) {
        char *text = finish(&f, ids[i]);
        EXPECT_ASK(text, "[.status, .output]", "[\"completed\",[7]]");
        pawl_free(text);
        pawl_free(ids[i]);
    }
    send_one(&f, "m", 8, "kept", 0);
    fixture_done(&f);
}

TEST(message, a_kept_one_goes_to_the_first_who_listens_and_to_that_one_only)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "one", hears_one);
    send_one(&f, "m", 1, "kept", 0);
    send_one(&f, "m", 2, "kept", 0);
    char *first = start(&f, "one", NULL), *text = finish(&f, first);
    EXPECT_ASK(text, ".output", "[1]");
    pawl_free(text);
    char *second = start(&f, "one", NULL);
    text = finish(&f, second);
    EXPECT_ASK(text, ".output", "[2]");
    pawl_free(text);
    char *third = start(&f, "one", NULL);
    settle(&f);
    text = show(&f, third);
    EXPECT_ASK(text, ".status", "\"waiting\"");
    pawl_free(text);
    pawl_free(first);
    pawl_free(second);
    pawl_free(third);
    fixture_done(&f);
}

static const char hears_beside_a_fault[] =
    "  - all: {fork: {branches: [{hear: {listen: {to: {one: {with: {type: m}}}}}}, {bad: {call: failing, with: {}}}]}}";

TEST(message, what_comes_for_a_faulted_instance_waits_until_it_is_retried)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "fork", hears_beside_a_fault);
    char *id = start(&f, "fork", NULL);
    pawl_free(finish(&f, id));
    send_one(&f, "m", 7, "delivered", 1);
    settle(&f);
    char *text = show(&f, id);
    EXPECT_ASK(text, "[.status, ([.waits[].kind] | sort)]", "[\"faulted\",[\"external-message\",\"incident\"]]");
    pawl_free(text);
    fixture_close(&f);
    fixture_open(&f);
    settle(&f);
    EXPECT_OK(pawl_change_with(f.p, id, PAWL_RETRY, NULL, NULL, NULL, &f.err), f.err);
    settle(&f);
    text = show(&f, id); /* it fails again, but what had come was heard */
    EXPECT_ASK(text, "[.status, ([.waits[].kind] | sort)]", "[\"faulted\",[\"incident\"]]");
    pawl_free(text);
    text = steps(&f, id);
    EXPECT_ASK(text, "[.steps[].event | select(. == \"message\")]", "[\"message\"]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

TEST(message, what_waited_for_an_instance_that_is_given_up_goes_to_another)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "fork", hears_beside_a_fault);
    deploy(&f, "one", hears_one);
    char *id = start(&f, "fork", NULL);
    pawl_free(finish(&f, id));
    send_one(&f, "m", 7, "delivered", 1);
    settle(&f);
    EXPECT_OK(pawl_change_with(f.p, id, PAWL_FAIL, NULL, NULL, NULL, &f.err), f.err);
    settle(&f);
    char *other = start(&f, "one", NULL), *text = finish(&f, other);
    EXPECT_ASK(text, "[.status, .output]", "[\"completed\",[7]]");
    pawl_free(text);
    pawl_free(other);
    pawl_free(id);
    fixture_done(&f);
}

TEST(message, a_repeated_one_has_no_effect_and_is_told_so)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "until", hears_until);
    char *id = start(&f, "until", "{\"n\":2}"), text[300];
    for (int i = 0; i < 3; i++) {
        char *told = publish(&f, event(text, sizeof text, "m", "same", 5));
        EXPECT_ASK(told, ".messages[0] | [.number, .duplicate, .deliveries]",
                   i ? "[1,true,0]" : "[1,false,1]");
        pawl_free(told);
    }
    char *told = publish(&f, "[{\"specversion\":\"1.0\",\"id\":\"x\",\"source\":\"/a\",\"type\":\"k\"},"
                             "{\"specversion\":\"1.0\",\"id\":\"x\",\"source\":\"/b\",\"type\":\"k\"},"
                             "{\"specversion\":\"1.0\",\"id\":\"x\",\"source\":\"/a\",\"type\":\"k\"}]");
    EXPECT_ASK(told, "[.messages[] | [.duplicate, .number]]", "[[false,2],[false,3],[true,2]]");
    pawl_free(told);
    settle(&f);
    char *shown = show(&f, id);
    EXPECT_ASK(shown, ".status", "\"waiting\"");
    pawl_free(shown);
    send_one(&f, "m", 6, "delivered", 1);
    shown = finish(&f, id);
    EXPECT_ASK(shown, ".output", "[5,6]");
    pawl_free(shown);
    pawl_free(id);
    fixture_done(&f);
}

TEST(message, what_an_instance_does_not_want_after_all_is_kept_for_others)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "n", hears_n);
    char *four = start(&f, "n", "{\"n\":4}"); /* only the instance can tell */
    send_one(&f, "m", 23, "delivered", 1);
    settle(&f);
    char *text = show(&f, four);
    EXPECT_ASK(text, ".status", "\"waiting\"");
    pawl_free(text);
    char *three = start(&f, "n", "{\"n\":3}");
    text = finish(&f, three);
    EXPECT_ASK(text, ".output", "[23]");
    pawl_free(text);
    send_one(&f, "m", 14, "delivered", 1);
    text = finish(&f, four);
    EXPECT_ASK(text, ".output", "[14]");
    pawl_free(text);
    pawl_free(three);
    pawl_free(four);
    fixture_done(&f);
}

TEST(message, what_comes_for_one_that_ends_goes_back)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "one", hears_one);
    char *first = start(&f, "one", NULL);
    send_many(&f, "m", 1, 300); /* the first takes one of them */
    char *text = finish(&f, first);
    EXPECT_ASK(text, ".output", "[1]");
    pawl_free(text);
    settle(&f);
    for (int i = 2; i <= 4; i++) {
        char wanted[16], *id = start(&f, "one", NULL);
        (void)snprintf(wanted, sizeof wanted, "[%d]", i);
        text = finish(&f, id);
        EXPECT_ASK(text, ".output", wanted);
        pawl_free(text);
        pawl_free(id);
    }
    pawl_free(first);
    fixture_done(&f);
}

TEST(message, what_waits_for_a_suspended_one_goes_back_when_it_is_cancelled)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "one", hears_one);
    char *id = start(&f, "one", NULL);
    EXPECT_OK(pawl_suspend(f.p, id, NULL, NULL, &f.err), f.err);
    send_one(&f, "m", 1, "delivered", 1);
    settle(&f);
    fixture_close(&f);
    fixture_open(&f);
    EXPECT_OK(pawl_cancel(f.p, id, NULL, NULL, &f.err), f.err);
    settle(&f);
    char *other = start(&f, "one", NULL), *text = finish(&f, other);
    EXPECT_ASK(text, ".output", "[1]");
    pawl_free(text);
    pawl_free(other);
    pawl_free(id);
    fixture_done(&f);
}

TEST(message, one_that_comes_for_a_suspended_instance_waits_for_it)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "one", hears_one);
    char *id = start(&f, "one", NULL);
    EXPECT_OK(pawl_suspend(f.p, id, NULL, NULL, &f.err), f.err);
    send_one(&f, "m", 1, "delivered", 1);
    settle(&f);
    char *text = show(&f, id);
    EXPECT_ASK(text, ".status", "\"suspended\"");
    pawl_free(text);
    fixture_close(&f); /* the next owner finds it */
    fixture_open(&f);
    settle(&f);
    EXPECT_OK(pawl_continue(f.p, id, NULL, NULL, &f.err), f.err);
    text = finish(&f, id);
    EXPECT_ASK(text, ".output", "[1]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ order */

static void expect_in_order(fixture *f, const char *id, int from, int count)
{
    char *text = finish(f, id), wanted[80];
    (void)snprintf(wanted, sizeof wanted, "true");
    char expression[120];
    (void)snprintf(expression, sizeof expression, ".output == [range(%d;%d)]", from, from + count);
    EXPECT_ASK(text, expression, wanted);
    pawl_free(text);
}

TEST(message, two_listens_in_a_loop_hear_a_burst_in_order)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "turn", hears_in_turn);
    char *id = start(&f, "turn", "{\"n\":200}");
    send_many(&f, "m", 0, 120);
    send_many(&f, "m", 120, 80);
    expect_in_order(&f, id, 0, 200);
    pawl_free(id);
    id = start(&f, "turn", "{\"n\":50}");
    settle(&f);
    for (int i = 0; i < 50; i++)
        send_one(&f, "m", 1000 + i, "delivered", 1);
    expect_in_order(&f, id, 1000, 50);
    pawl_free(id);
    fixture_done(&f);
}

TEST(message, kept_ones_and_new_ones_are_heard_in_order)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "turn", hears_in_turn);
    deploy(&f, "until", hears_until);
    send_many(&f, "m", 0, 30);
    char *id = start(&f, "turn", "{\"n\":60}");
    send_many(&f, "m", 30, 30);
    expect_in_order(&f, id, 0, 60);
    pawl_free(id);
    send_many(&f, "m", 100, 30);
    id = start(&f, "until", "{\"n\":60}");
    send_many(&f, "m", 130, 30);
    expect_in_order(&f, id, 100, 60);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ what is refused */

TEST(message, what_is_no_cloud_event_is_refused_with_its_place)
{
#define HEAD "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\""
    static const struct {
        const char *events, *says;
    } bad[] = {
        { "", "publish: JSON line 1" },
        { "7", "a message is a CloudEvent, a JSON object, not number" },
        { "[]", "0 messages; 1 to 1000 at once" },
        { "{}", "'specversion' is missing" },
        { "{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}",
          "'specversion' must be \"1.0\"" },
        { "{\"specversion\":\"1.0\",\"source\":\"/s\",\"type\":\"t\"}", "'id' is missing" },
        { "{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"/s\",\"type\":\"t\"}", "'id' is empty" },
        { "{\"specversion\":\"1.0\",\"id\":7,\"source\":\"/s\",\"type\":\"t\"}",
          "'id' must be a string, not number" },
        { "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":null,\"type\":\"t\"}",
          "'source' is missing" },
        { "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"a b\",\"type\":\"t\"}",
          "'source' is no URI reference" },
        { "{" HEAD ",\"time\":\"yesterday\"}", "'time' must be a time as in RFC 3339 (2026-11-23T10:30:00Z), not 'yesterday'" },
        { "{" HEAD ",\"subject\":\"\"}", "'subject' is empty" },
        { "{" HEAD ",\"Shop\":\"x\"}", "'Shop' is no name of an attribute" },
        { "{" HEAD ",\"shop_id\":\"x\"}", "'shop_id' is no name of an attribute" },
        { "{" HEAD ",\"shop\":{\"a\":1}}", "belongs into 'data'" },
        { "{" HEAD ",\"shop\":2147483648}", "'shop' must be a whole number of 32 bits" },
        { "{" HEAD ",\"shop\":1.5}", "'shop' must be a whole number of 32 bits" },
        { "{" HEAD ",\"shop\":\"a\\u0007b\"}", "'shop' holds a control character" },
        { "{" HEAD ",\"data\":1,\"data_base64\":\"AA==\"}", "one of the two" },
        { "{" HEAD ",\"data_base64\":\"A\"}", "'data_base64' is not base64" },
        { "{" HEAD ",\"data_base64\":7}", "'data_base64' must be a string, not number" },
        { "{" HEAD ",\"subject\":\"a\\u0007b\"}", "'subject' holds a control character" },
        { "[{" HEAD "},{" HEAD ",\"time\":7}]",
          "publish: message 2 of 2: 'time' must be a string, not number" },
    };
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        EXPECT_INT(pawl_publish(f.p, bad[i].events, NULL, NULL, &f.err), PAWL_INVALID);
        EXPECT_CONTAINS(f.err.message, bad[i].says);
    }
    EXPECT_INT(pawl_publish(f.p, NULL, NULL, NULL, &f.err), PAWL_INVALID);
    char *large = pw_zalloc((1 << 20) + 200);
    int at = snprintf(large, 200, "{" HEAD ",\"data\":\"");
    memset(large + at, 'x', 1 << 20);
    memcpy(large + at + (1 << 20), "\"}", 3);
    EXPECT_INT(pawl_publish(f.p, large, NULL, NULL, &f.err), PAWL_INVALID);
    EXPECT_CONTAINS(f.err.message, "at most 1048576");
    at = snprintf(large, 200, "{" HEAD ",\"subject\":\"");
    memset(large + at, 'x', 1025);
    memcpy(large + at + 1025, "\"}", 3);
    EXPECT_INT(pawl_publish(f.p, large, NULL, NULL, &f.err), PAWL_INVALID);
    EXPECT_CONTAINS(f.err.message, "'subject' has 1025 bytes; at most 1024");
    pw_free(large);
    large = pw_alloc(PW_JSON_INPUT_MAX + 2);
    memset(large, ' ', PW_JSON_INPUT_MAX + 1);
    large[PW_JSON_INPUT_MAX + 1] = '\0';
    EXPECT_INT(pawl_publish(f.p, large, NULL, NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(f.err.reason, PAWL_REASON_TOO_LARGE);
    pw_free(large);
    char *told = publish(&f, "{" HEAD ",\"time\":\"2026-11-23T01:02:03.5+01:00\",\"subject\":null,"
                             "\"shop\":true,\"n\":-2147483648,\"data\":null,\"dataschema\":\"urn:x\","
                             "\"datacontenttype\":\"application/json\"}");
    EXPECT_ASK(told, ".messages[0] | [.number, .state]", "[1,\"kept\"]");
    pawl_free(told);
    fixture_done(&f);
#undef HEAD
}

TEST(message, options_that_cannot_be_are_refused_and_nothing_is_put)
{
    static char long_name[258];
    memset(long_name, 'x', 257);
    const pawl_publish_options bad[] = {
        { .struct_size = 0 },
        { .struct_size = sizeof bad[0], .ttl_ms = 315360000001 },
        { .struct_size = sizeof bad[0], .actor = "\xff" },
        { .struct_size = sizeof bad[0], .actor = long_name },
    };
    static const char *const says[] = {
        "publish: struct_size is 0; set it to sizeof(pawl_publish_options)",
        "publish: ttl_ms must be at most 315360000000, ten years",
        "publish: actor must be at most 256 bytes of UTF-8",
        "publish: actor must be at most 256 bytes of UTF-8",
    };
    static const char one[] = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}";
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        EXPECT_INT(pawl_publish(f.p, one, &bad[i], NULL, &f.err), PAWL_INVALID);
        EXPECT_TEXT(f.err.message, says[i]);
    }
    char *told = publish(&f, one);
    EXPECT_ASK(told, ".messages[0] | [.number, .duplicate]", "[1,false]");
    pawl_free(told);
    fixture_done(&f);
}

TEST(message, a_pawl_that_only_looks_takes_no_messages)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    pawl_options options = test_options();
    options.store = f.store;
    options.mode = PAWL_READ;
    pawl *reader = NULL;
    EXPECT_OK(pawl_open(&reader, &options, &f.err), f.err);
    char text[300];
    EXPECT_INT(pawl_publish(reader, event(text, sizeof text, "m", "1", 1), NULL, NULL, &f.err),
               PAWL_INVALID);
    EXPECT_CONTAINS(f.err.message, "PAWL_READ");
    pawl_close(reader);
    fixture_done(&f);
}

TEST(message, a_kept_one_is_gone_when_its_time_is_over)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_clock(&f, 1800000000000);
    fixture_open(&f);
    deploy(&f, "one", hears_one);
    char text[300];
    const pawl_publish_options options = { .struct_size = sizeof options, .ttl_ms = 60000 };
    char *told = NULL;
    EXPECT_OK(pawl_publish(f.p, event(text, sizeof text, "m", "short", 1), &options, &told, &f.err),
              f.err);
    EXPECT_ASK(told, ".messages[0].expiresAt", "\"2027-01-15T08:01:00.000Z\"");
    pawl_free(told);
    send_one(&f, "m", 2, "kept", 0); /* for a day */
    fixture_clock(&f, 1800000060001);
    char *id = start(&f, "one", NULL);
    char *shown = finish(&f, id);
    EXPECT_ASK(shown, ".output", "[2]");
    pawl_free(shown);
    pawl_free(id);
    fixture_close(&f);
    fixture_open(&f); /* looks at what has expired */
    settle(&f);
    told = publish(&f, event(text, sizeof text, "m", "short", 1));
    EXPECT_ASK(told, ".messages[0].duplicate", "false");
    pawl_free(told);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ hostile */

TEST(message, an_expression_that_takes_too_long_stops_no_other)
{
    fixture f;
    fixture_init(&f, "memory:");
    f.options.expression_fuel = 100000;
    fixture_open(&f);
    deploy(&f, "bad", "  - hear: {listen: {to: {one: {with: {type: m, data: '${ def f: f; f }'}}}}}");
    deploy(&f, "broken", "  - hear: {listen: {to: {one: {with: {type: m, data: '${ error(\"no\") }'}}}}}");
    deploy(&f, "one", hears_one);
    char *bad = start(&f, "bad", NULL), *broken = start(&f, "broken", NULL),
         *good = start(&f, "one", NULL);
    send_one(&f, "m", 1, "delivered", 1);
    char *text = finish(&f, good);
    EXPECT_ASK(text, ".output", "[1]");
    pawl_free(text);
    settle(&f);
    text = show(&f, bad);
    EXPECT_ASK(text, ".status", "\"waiting\"");
    pawl_free(text);
    pawl_free(bad);
    pawl_free(broken);
    pawl_free(good);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ the store fails */

TEST(message, a_put_that_took_place_unnoticed_is_no_duplicate)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "until", hears_until);
    char *id = start(&f, "until", "{\"n\":4}");
    for (int i = 0; i < 4; i++) {
        char text[300], name[16];
        (void)snprintf(name, sizeof name, "n%d", i);
        pw_memory_fail_commit(f.p->store, 1, i % 2 == 1);
        char *told = publish(&f, event(text, sizeof text, "m", name, i));
        EXPECT_ASK(told, ".messages[0] | [.duplicate, .state]", "[false,\"delivered\"]");
        pawl_free(told);
    }
    for (int i = 0; i < 2; i++) { /* what was there before the try that was repeated is one */
        char text[700], again[300], fresh[300], name[16];
        (void)snprintf(name, sizeof name, "o%d", i);
        (void)snprintf(text, sizeof text, "[%s,%s]", event(again, sizeof again, "m", "n3", 3),
                       event(fresh, sizeof fresh, "other", name, 0));
        pw_memory_fail_commit(f.p->store, 1, i % 2 == 1);
        char *told = publish(&f, text);
        EXPECT_ASK(told, "[.messages[].duplicate]", "[true,false]");
        pawl_free(told);
    }
    expect_in_order(&f, id, 0, 4);
    pawl_free(id);
    fixture_done(&f);
}

/* Whatever allocation fails: an answer that is true, and in the end every message once, in order. */
TEST(message, running_out_of_memory_loses_none)
{
    enum { COUNT = 120 };
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "until", hears_until);
    char *id = start(&f, "until", "{\"n\":120}");
    settle(&f);
    unsigned refused = 0;
    for (int nth = 0; nth < COUNT; nth++) {
        char text[300], name[16];
        (void)snprintf(name, sizeof name, "n%d", nth);
        (void)event(text, sizeof text, "m", name, nth);
        pw_alloc_fail_after((uint64_t)nth + 1);
        pawl_code code = pawl_publish(f.p, text, NULL, NULL, &f.err);
        pw_alloc_fail_after(0);
        if (code != PAWL_OK) {
            EXPECT_INT(code, PAWL_NO_MEMORY);
            EXPECT_OK(pawl_publish(f.p, text, NULL, NULL, &f.err), f.err);
            refused++;
        }
    }
    EXPECT(refused > 0); /* the first can never succeed */
    expect_in_order(&f, id, 0, COUNT);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ what another left */

TEST(message, what_was_put_and_not_routed_is_routed_by_the_next_owner)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "one", hears_one);
    char *id = start(&f, "one", NULL), text[300];
    fixture_close(&f);
    pw_store *store = NULL;
    const pw_store_options options = { pw_str_of(f.store), PW_STORE_OWN, false };
    EXPECT_OK(pw_store_open(&store, &options, &f.err), f.err);
    pw_message_row row = { .source = PW_LIT("/test"),
                           .id = PW_LIT("left"),
                           .type = PW_LIT("m"),
                           .actor = PW_LIT("ann"),
                           .body = pw_str_of(event(text, sizeof text, "m", "left", 9)),
                           .received_ms = 1700000000000,
                           .expires_ms = INT64_MAX };
    EXPECT_OK(pw_store_messages_put(store, &row, 1, &f.err), f.err);
    EXPECT_INT(row.state, PW_MESSAGE_NEW);
    pw_store_close(store);
    fixture_open(&f);
    char *shown = finish(&f, id);
    EXPECT_ASK(shown, ".output", "[9]");
    pawl_free(shown);
    shown = steps(&f, id);
    EXPECT_ASK(shown, ".steps[1] | [.event, .actor]", "[\"message\",\"ann\"]");
    pawl_free(shown);
    pawl_free(id);
    fixture_done(&f);
}

typedef struct senders {
    fixture *f;
    const char *run;
} senders;

static void send_fifty(void *context, unsigned number)
{
    const senders *s = context;
    for (int i = 0; i < 50; i++) {
        char text[300], id[32];
        pawl_error err;
        (void)snprintf(id, sizeof id, "%s-%u-%d", s->run, number, i);
        EXPECT_OK(pawl_publish(s->f->p, event(text, sizeof text, "m", id, (int)number * 1000 + i),
                               NULL, NULL, &err),
                  err);
    }
}

TEST(message, many_senders_at_once_are_all_heard_each_in_its_order)
{
    static const char *const names[] = { "until", "turn" };
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "until", hears_until);
    deploy(&f, "turn", hears_in_turn);
    for (int i = 0; i < 2; i++) {
        char *id = start(&f, names[i], "{\"n\":200}");
        settle(&f);
        senders s = { &f, names[i] };
        crew_run(4, send_fifty, &s);
        char *text = finish(&f, id);
        EXPECT_ASK(text, ".output | length", "200");
        EXPECT_ASK(text,
                   "[range(4) as $n | [.output[] | select(. / 1000 | floor == $n)] == "
                   "[range($n * 1000; $n * 1000 + 50)]] | all",
                   "true");
        pawl_free(text);
        pawl_free(id);
    }
    fixture_done(&f);
}

TEST_MAIN()
