/* outbox_test.c - the outbox dispatcher over its life: what it publishes and in which order, what it does when a sink
 * or the store fails, dead letters, and how it stops. The sinks are real ones, at a service on loopback. */
#include <sched.h>
#include <sqlite3.h>
#include <unistd.h>
#include "trouble.h"
#include "engine/disk.h"
#include "store/memory/memory.h"

#define HOUR_MS 3600000

static trouble t; /* of the running test */
static pawl_sink_options sinks[2];

static pawl_sink_options sink(const char *name, const char *path)
{
    return (pawl_sink_options){
        .struct_size = sizeof(pawl_sink_options), .name = name, .type = "http", .url = service_url(t.s, path)
    };
}

/* With nobody at the store. */
static void change_file(const char *sql)
{
    sqlite3 *db = NULL;
    EXPECT_INT(sqlite3_open(t.f.store, &db), SQLITE_OK);
    EXPECT_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
}

/* One sink "hook" at /hook, which answers as it is told to; a failure is tried again within the hour. */
static void begin(const char *store)
{
    trouble_init(&t, store);
    t.resilience.base_delay_ms = t.resilience.max_delay_ms = HOUR_MS;
    sinks[0] = sink("hook", "/hook");
    sinks[0].types = "order.*,t,u"; /* not what tells of beginning and end */
    sinks[0].at_once = 1;
    t.f.options.sinks = sinks;
    t.f.options.sink_count = 1;
    t.f.options.outbox_ms = 24 * HOUR_MS; /* nothing is found by looking again */
}

static void answer(int status, unsigned times)
{
    service_on(t.s, "/hook", (service_answer){ .status = status, .times = times });
}

/* A workflow test/NAME that emits so many events of a type, one after the other, each in its own step. */
static void deploy_events(const char *name, const char *type, unsigned count)
{
    char body[4096] = "";
    for (unsigned i = 1; i <= count; i++)
        (void)snprintf(body + strlen(body), sizeof body - strlen(body),
                       "  - e%u: {emit: {event: {with: {type: %s, source: /shop, data: {n: %u, of: '${ $workflow.input.who }'}}}}}\n"
                       "  - w%u: {wait: PT0.001S}\n",
                       i, type, i, i);
    deploy(&t.f, name, body);
}

static char *start_as(const char *name, const char *who)
{
    char input[64];
    (void)snprintf(input, sizeof input, "{\"who\":\"%s\"}", who);
    return start(&t.f, name, input);
}

/* Until it has ended, with the clock moved for its waits. */
static void drive_to_end(char *id)
{
    (void)drive(&t, id);
    pawl_free(id);
}

static const char *ask_letters(trouble *at, const char *none, const char *expression)
{
    (void)none;
    char *text = NULL;
    const pawl_letters_options all = { .struct_size = sizeof all, .all = 1 };
    EXPECT_OK(pawl_letters(at->f.p, &all, &text, &at->f.err), at->f.err);
    const char *said = ask(text, expression);
    pawl_free(text);
    return said;
}

static const char *ask_sinks(trouble *at, const char *none, const char *expression)
{
    (void)none;
    char *text = NULL;
    EXPECT_OK(pawl_sinks(at->f.p, &text, &at->f.err), at->f.err);
    const char *said = ask(text, expression);
    pawl_free(text);
    return said;
}

#define UNTIL_LETTERS(expression, expected) until_same(&t, ask_letters, NULL, (expression), (expected))
#define UNTIL_SINKS(expression, expected) until_same(&t, ask_sinks, NULL, (expression), (expected))
/* And counted, which the round does that published them, after its commit. */
#define ALL_PUBLISHED \
    do { \
        UNTIL_SINKS("[.sinks[].pending] | add", "0"); \
        EXPECT_OK(pw_outbox_round(t.f.p->outbox, pw_monotonic_ns() + WAIT_MS * 1000000ull, &t.f.err), t.f.err); \
    } while (0)

/* Bodies of all requests, as one JSON array. */
static const char *ask_bodies(const char *expression)
{
    static char said[4096];
    pw_buf buf;
    pw_buf_init(&buf, 0);
    unsigned count = service_requests(t.s);
    for (unsigned i = 0; i < count; i++) {
        const service_request *r = service_request_at(t.s, i);
        pw_buf_printf(&buf, "%c%.*s", i ? ',' : '[', (int)r->body_len, r->body);
    }
    pw_buf_text(&buf, count ? "]" : "[]");
    pw_buf_char(&buf, '\0');
    (void)snprintf(said, sizeof said, "%s", ask(buf.ptr, expression));
    pw_buf_done(&buf);
    return said;
}
#define EXPECT_BODIES(expression, expected) EXPECT_TEXT(ask_bodies(expression), (expected))

static pawl_code change_letter(const char *event, int requeue)
{
    const pawl_request kim = { .struct_size = sizeof kim, .actor = "kim" };
    return pawl_letter_change(t.f.p, event, NULL, NULL, requeue, "the sink is well", &kim, NULL, &t.f.err);
}

/* ------------------------------------------------------------------ start and work */

TEST(outbox_dispatcher, events_are_published_in_their_order_with_what_tells_them_apart)
{
    begin(NULL);
    answer(202, 0);
    trouble_open(&t);
    deploy_events("many", "order.placed", 3);
    char *id = start_as("many", "ann");
    char instance[64];
    (void)snprintf(instance, sizeof instance, "[\"%s\"]", id);
    drive_to_end(id);
    ALL_PUBLISHED;
    EXPECT_BODIES("[.[].data.n]", "[1,2,3]");
    EXPECT_BODIES("[.[].pawlinstance] | unique", instance);
    EXPECT_BODIES("[.[] | .id == \"\\(.pawlinstance)-\\(.pawlsequence)-\\(.pawlordinal)\"] | all", "true");
    EXPECT_BODIES("[.[] | .type, .source, .specversion] | unique", "[\"/shop\",\"1.0\",\"order.placed\"]");
    EXPECT_BODIES("[.[].pawlsequence] | . == (. | sort) and (. | unique | length) == 3", "true");
    EXPECT_BODIES("[.[] | has(\"pawlrequeued\")] | unique", "[false]");
    EXPECT_TEXT(service_header(t.s, service_request_at(t.s, 0), "Content-Type"), "application/cloudevents+json; charset=utf-8");
    EXPECT_TEXT(ask_sinks(&t, NULL, ".sinks[0] | [.name, .type, .state, .published, .failed, .dead]"),
                "[\"hook\",\"http\",\"up\",3,0,0]");
    trouble_done(&t);
}

TEST(outbox_dispatcher, a_commit_wakes_it_and_no_interval_is_waited_for)
{
    begin(NULL);
    answer(200, 0);
    trouble_open(&t);
    deploy(&t.f, "one", "  - e: {emit: {event: {with: {type: t, source: /s}}}}");
    for (unsigned i = 1; i <= 3; i++) { /* the interval is a day */
        char *id = start(&t.f, "one", "null");
        service_wait_requests(t.s, i);
        pawl_free(id);
    }
    ALL_PUBLISHED;
    trouble_done(&t);
}

TEST(outbox_dispatcher, a_round_has_as_many_events_as_it_may)
{
    begin(NULL);
    service_on(t.s, "/hook", (service_answer){ .status = 200, .hold = true });
    sinks[0].at_once = 16;
    t.f.options.outbox_batch = 2;
    t.f.options.services_off = PAWL_SERVICE_OUTBOX;
    trouble_open(&t);
    deploy(&t.f, "one", "  - e: {emit: {event: {with: {type: t, source: /s}}}}");
    for (unsigned i = 0; i < 5; i++)
        drive_to_end(start(&t.f, "one", "null"));
    fixture_close(&t.f);
    t.f.options.services_off = 0;
    trouble_open(&t);
    for (unsigned left = 5; left > 0; left -= left > 1 ? 2 : 1) {
        service_wait_held(t.s, left > 1 ? 2 : 1);
        service_release(t.s, left > 1 ? 2 : 1);
    }
    ALL_PUBLISHED;
    EXPECT_INT(service_requests(t.s), 5);
    EXPECT_INT(service_at_once_max(t.s), 2);
    EXPECT_OK(pw_outbox_round(t.f.p->outbox, pw_monotonic_ns() + WAIT_MS * 1000000ull, &t.f.err), t.f.err);
    pw_service_state state;
    pw_service_look(&t.f.p->services[PW_SERVICE_OUTBOX], &state);
    EXPECT_INT(state.items, 5);
    EXPECT(state.rounds >= 4);
    trouble_done(&t);
}

TEST(outbox_dispatcher, a_sink_has_the_types_and_sources_that_it_wants)
{
    begin(NULL);
    answer(200, 0);
    service_on(t.s, "/other", (service_answer){ .status = 200 });
    sinks[0].types = "order.*, mail.sent";
    sinks[1] = sink("other", "/other");
    sinks[1].sources = "/nowhere,/sh*p";
    sinks[1].types = "*.sent";
    t.f.options.sink_count = 2;
    trouble_open(&t);
    deploy(&t.f, "four",
           "  - a: {emit: {event: {with: {type: order.placed, source: /shop}}}}\n"
           "  - b: {emit: {event: {with: {type: mail.sent, source: /shop}}}}\n"
           "  - c: {emit: {event: {with: {type: mail.sent, source: /post}}}}\n"
           "  - d: {emit: {event: {with: {type: none, source: /shop}}}}");
    drive_to_end(start(&t.f, "four", "null"));
    ALL_PUBLISHED;
    EXPECT_TEXT(ask_sinks(&t, NULL, "[.sinks[] | .name, .published]"), "[\"hook\",3,\"other\",1]");
    EXPECT_INT(service_requests(t.s), 4);
    trouble_done(&t);
}

TEST(outbox_dispatcher, without_a_sink_nothing_is_kept_to_be_published)
{
    begin(NULL);
    answer(200, 0);
    t.f.options.sink_count = 0;
    trouble_open(&t);
    deploy_events("two", "t", 2);
    drive_to_end(start_as("two", "ann"));
    EXPECT_TEXT(ask_sinks(&t, NULL, ".sinks"), "[]");
    fixture_close(&t.f);
    EXPECT_TEXT(ask_file(&t, "SELECT count(*) FROM outbox WHERE type = 't'"), "2");
    EXPECT_TEXT(ask_file(&t, "SELECT count(*) FROM outbox_delivery"), "0");
    t.f.options.sink_count = 1; /* a sink has what happens from now on */
    trouble_open(&t);
    drive_to_end(start_as("two", "bob"));
    ALL_PUBLISHED;
    EXPECT_BODIES("[.[].data.of]", "[\"bob\",\"bob\"]");
    trouble_done(&t);
}

TEST(outbox_dispatcher, what_is_switched_off_is_kept_until_somebody_publishes_it)
{
    begin(NULL);
    answer(200, 0);
    t.f.options.services_off = PAWL_SERVICE_OUTBOX;
    trouble_open(&t);
    pw_service_state state;
    pw_service_look(&t.f.p->services[PW_SERVICE_OUTBOX], &state);
    EXPECT(!state.enabled);
    deploy_events("two", "t", 2);
    drive_to_end(start_as("two", "ann"));
    EXPECT_TEXT(ask_sinks(&t, NULL, ".sinks[0] | [.state, .pending]"), "[\"unknown\",2]");
    EXPECT_INT(service_requests(t.s), 0);
    fixture_close(&t.f);
    t.f.options.services_off = 0;
    trouble_open(&t);
    ALL_PUBLISHED;
    EXPECT_BODIES("[.[].data.n]", "[1,2]");
    trouble_done(&t);
}

/* ------------------------------------------------------------------ error */

TEST(outbox_dispatcher, a_failure_is_tried_again_at_the_instant_that_is_stored)
{
    begin(NULL);
    answer(500, 1);
    answer(200, 0);
    trouble_open(&t);
    deploy(&t.f, "two",
           "  - a: {emit: {event: {with: {type: t, source: /s, data: 1}}}}\n"
           "  - b: {emit: {event: {with: {type: t, source: /s, data: 2}}}}");
    char *id = start(&t.f, "two", "null");
    UNTIL_LETTERS("[.letters[] | .state, .attempts]", "[\"pending\",1]"); /* the second is held back */
    EXPECT_TEXT(ask_letters(&t, NULL, ".letters[0] | (.nextAt > \"2027-01-15T08:00:00Z\"), (.nextAt <= \"2027-01-15T09:00:00.000Z\")"),
                "true");
    EXPECT_INT(service_requests(t.s), 1);
    trouble_again(&t); /* it is stored */
    EXPECT_TEXT(ask_letters(&t, NULL, "[.letters[].attempts]"), "[1]");
    forward(&t, HOUR_MS);
    ALL_PUBLISHED;
    EXPECT_BODIES("[.[].data]", "[1,1,2]");
    EXPECT_BODIES(".[0].id == .[1].id", "true");
    pawl_free(id);
    trouble_done(&t);
}

TEST(outbox_dispatcher, what_failed_as_often_as_it_may_is_a_dead_letter_and_lets_the_others_go)
{
    begin(NULL);
    answer(500, 3);
    answer(200, 0);
    trouble_open(&t);
    deploy(&t.f, "two",
           "  - a: {emit: {event: {with: {type: t, source: /s, data: 1}}}}\n"
           "  - b: {emit: {event: {with: {type: u, source: /s, data: 2}}}}");
    char *id = start(&t.f, "two", "null"), *one = NULL;
    for (const char *attempts[] = { "[1]", "[2]" }, **at = attempts; at < attempts + 2; at++) {
        UNTIL_LETTERS("[.letters[].attempts]", *at);
        forward(&t, HOUR_MS);
    }
    ALL_PUBLISHED;
    EXPECT_BODIES("[.[].data]", "[1,1,1,2]");
    EXPECT_TEXT(ask_letters(&t, NULL, "[.letters[] | .state, .attempts, .type, .sink, .namespace, .name, .requeued]"),
                "[\"dead\",3,\"t\",\"hook\",\"test\",\"two\",false]");
    EXPECT_TEXT(ask_letters(&t, NULL, ".letters[0] | has(\"endedAt\") and (.error | test(\"500\")) and has(\"nextAt\") == false"),
                "true");
    char event[128];
    (void)snprintf(event, sizeof event, "%s", ask_letters(&t, NULL, ".letters[0].event"));
    event[strlen(event) - 1] = '\0'; /* its quotes */
    EXPECT_OK(pawl_letter(t.f.p, event + (event[0] == '"'), NULL, &one, &t.f.err), t.f.err);
    EXPECT_ASK(one, "[.sink, .payload.data, .payload.type]", "[\"hook\",1,\"t\"]");
    pawl_free(one);
    pw_service_state state;
    EXPECT_OK(pw_outbox_round(t.f.p->outbox, pw_monotonic_ns() + WAIT_MS * 1000000ull, &t.f.err), t.f.err);
    pw_service_look(&t.f.p->services[PW_SERVICE_OUTBOX], &state);
    EXPECT_INT(state.items, 4);
    EXPECT_INT(state.failed_items, 3);
    EXPECT_INT(state.failed_rounds, 0); /* a sink that fails is no failure of the service */
    char *text = NULL;
    EXPECT_OK(pawl_metrics(t.f.p, &text, &t.f.err), t.f.err);
    EXPECT_CONTAINS(text, "\npawl_outbox_published_total{sink=\"hook\"} 1\n");
    EXPECT_CONTAINS(text, "\npawl_outbox_failed_total{sink=\"hook\"} 3\n");
    EXPECT_CONTAINS(text, "\npawl_outbox_dead_total{sink=\"hook\"} 1\n");
    pawl_free(text);
    pawl_free(id);
    trouble_done(&t);
}

TEST(outbox_dispatcher, what_a_sink_will_never_take_is_a_dead_letter_at_once)
{
    begin(NULL);
    answer(410, 1);
    answer(200, 0);
    trouble_open(&t);
    deploy_events("two", "t", 2);
    drive_to_end(start_as("two", "ann"));
    ALL_PUBLISHED;
    EXPECT_TEXT(ask_letters(&t, NULL, "[.letters[] | .state, .attempts]"), "[\"dead\",1]");
    EXPECT_BODIES("[.[].data.n]", "[1,2]");
    trouble_done(&t);
}

TEST(outbox_dispatcher, a_failure_holds_back_its_own_instance_and_no_other)
{
    begin(NULL);
    answer(500, 1);
    answer(200, 0);
    trouble_open(&t);
    deploy(&t.f, "two",
           "  - a: {emit: {event: {with: {type: t, source: /s, data: '${ .who + \"1\" }'}}}}\n"
           "  - b: {emit: {event: {with: {type: t, source: /s, data: '${ $workflow.input.who + \"2\" }'}}}}");
    char *ann = start_as("two", "ann");
    UNTIL_LETTERS("[.letters[].attempts]", "[1]");
    char *bob = start_as("two", "bob");
    UNTIL_SINKS(".sinks[0] | [.published, .pending]", "[2,2]");
    EXPECT_BODIES("[.[].data]", "[\"ann1\",\"bob1\",\"bob2\"]");
    forward(&t, HOUR_MS);
    ALL_PUBLISHED;
    EXPECT_BODIES("[.[].data]", "[\"ann1\",\"bob1\",\"bob2\",\"ann1\",\"ann2\"]");
    pawl_free(ann);
    pawl_free(bob);
    trouble_done(&t);
}

TEST(outbox_dispatcher, a_sink_that_is_down_charges_one_event_and_waits_as_a_whole)
{
    begin(NULL);
    answer(503, 2); /* nothing is taken by the whole sink */
    answer(200, 0);
    t.f.options.services_off = PAWL_SERVICE_OUTBOX;
    trouble_open(&t);
    deploy(&t.f, "one", "  - e: {emit: {event: {with: {type: t, source: /s, data: '${ .who }'}}}}");
    for (const char *names[] = { "a", "b", "c", "d" }, **at = names; at < names + 4; at++) {
        drive_to_end(start_as("one", *at));
        forward(&t, 1000); /* each is due behind the one before */
    }
    fixture_close(&t.f);
    t.f.options.services_off = 0;
    t.f.options.outbox_retries = 2;
    trouble_open(&t);
    UNTIL_LETTERS("[.letters[].attempts]", "[1]");
    UNTIL_SINKS(".sinks[0] | [.state, .failed]", "[\"failing\",1]");
    char *late = start_as("one", "e"); /* wakes it: it waits nevertheless */
    EXPECT_OK(pw_outbox_round(t.f.p->outbox, pw_monotonic_ns() + WAIT_MS * 1000000ull, &t.f.err), t.f.err);
    EXPECT_TEXT(ask_letters(&t, NULL, "[.letters[].attempts]"), "[1]");
    EXPECT_INT(service_requests(t.s), 1);
    forward(&t, HOUR_MS);
    UNTIL_SINKS(".sinks[0].failed", "2");
    EXPECT_INT(service_requests(t.s), 2);
    EXPECT_TEXT(ask_letters(&t, NULL, "[.letters[] | .state] | unique"), "[\"pending\"]"); /* none is dead of it */
    forward(&t, HOUR_MS);
    ALL_PUBLISHED;
    EXPECT_TEXT(ask_sinks(&t, NULL, ".sinks[0] | [.state, .published, .dead]"), "[\"up\",5,0]");
    pawl_free(late);
    trouble_done(&t);
}

TEST(outbox_dispatcher, a_clock_that_was_put_back_holds_a_sink_no_longer_than_it_was_to_wait)
{
    begin(NULL);
    answer(503, 1);
    answer(200, 0);
    trouble_open(&t);
    deploy(&t.f, "one", "  - e: {emit: {event: {with: {type: t, source: /s, data: '${ .who }'}}}}");
    drive_to_end(start_as("one", "ann"));
    UNTIL_LETTERS("[.letters[].attempts]", "[1]");
    fixture_clock(&t.f, TIME0 - 24 * HOUR_MS);
    drive_to_end(start_as("one", "bob")); /* due at once by its own clock: it wakes the sink, which waits */
    EXPECT_OK(pw_outbox_round(t.f.p->outbox, pw_monotonic_ns() + WAIT_MS * 1000000ull, &t.f.err), t.f.err);
    EXPECT_INT(service_requests(t.s), 1);
    fixture_clock(&t.f, TIME0 - 23 * HOUR_MS); /* an hour, which is the longest delay, after that look */
    UNTIL_SINKS(".sinks[0] | [.published, .pending]", "[1,1]");
    EXPECT_BODIES("[.[].data]", "[\"ann\",\"bob\"]");
    fixture_clock(&t.f, TIME0 + HOUR_MS);
    ALL_PUBLISHED;
    EXPECT_BODIES("[.[].data]", "[\"ann\",\"bob\",\"ann\"]");
    trouble_done(&t);
}

TEST(outbox_dispatcher, on_a_full_disk_nothing_is_published_until_there_is_room)
{
    begin(NULL);
    answer(200, 0);
    t.f.options.disk_low = 100 << 20;
    t.f.options.disk_full = 50 << 20;
    t.f.options.services_off = PAWL_SERVICE_OUTBOX;
    trouble_open(&t);
    deploy_events("two", "t", 2);
    drive_to_end(start_as("two", "ann"));
    fixture_close(&t.f);
    t.f.options.services_off = 0;
    service_on(t.s, "/first", (service_answer){ .status = 503 });
    sinks[0].url = service_url(t.s, "/first");
    trouble_open(&t);
    UNTIL_SINKS(".sinks[0].failed", "1"); /* and it waits for an hour: only now the clock may be moved */
    pw_disk_pretend(t.f.p->disk, 10 << 20);
    EXPECT_OK(pw_disk_look(t.f.p->disk, pw_monotonic_ns() + WAIT_MS * 1000000ull, &t.f.err), t.f.err);
    forward(&t, HOUR_MS);
    EXPECT_OK(pw_outbox_round(t.f.p->outbox, pw_monotonic_ns() + WAIT_MS * 1000000ull, &t.f.err), t.f.err);
    EXPECT_INT(service_requests(t.s), 1); /* due, and not tried: what became of it could not be written */
    pw_disk_pretend(t.f.p->disk, 1000 << 20);
    EXPECT_OK(pw_disk_look(t.f.p->disk, pw_monotonic_ns() + WAIT_MS * 1000000ull, &t.f.err), t.f.err);
    service_wait_requests(t.s, 2); /* within a second */
    trouble_done(&t);
}

TEST(outbox_dispatcher, what_waits_is_told_of_each_sink)
{
    begin(NULL);
    answer(503, 0);
    service_on(t.s, "/first", (service_answer){ .status = 500 });
    sinks[1] = sinks[0];
    sinks[0] = sink("first", "/first");
    sinks[0].types = " t\t,, "; /* blanks are no part of a name, and no name is no pattern */
    t.f.options.sink_count = 2;
    trouble_open(&t);
    deploy_events("two", "t", 2);
    drive_to_end(start_as("two", "ann"));
    UNTIL_SINKS("[.sinks[] | .name, .state, .pending]", "[\"first\",\"failing\",2,\"hook\",\"failing\",2]");
    trouble_done(&t);
}

TEST(outbox_dispatcher, a_store_that_fails_in_a_round_has_it_published_again_with_the_same_id)
{
    for (int applied = 0; applied < 2; applied++) {
        begin("memory:");
        service_on(t.s, "/hook", (service_answer){ .status = 200, .hold = true, .times = 1 });
        answer(200, 0);
        trouble_open(&t);
        deploy(&t.f, "one", "  - e: {emit: {event: {with: {type: t, source: /s}}}}");
        char *id = start(&t.f, "one", "null");
        char *shown = finish(&t.f, id);
        service_wait_held(t.s, 1);
        pw_memory_fail_commit(t.f.p->store, 1, applied);
        service_release(t.s, 1);
        ALL_PUBLISHED;
        /* as often as it goes round before the store is open again */
        EXPECT(applied ? service_requests(t.s) == 1 : service_requests(t.s) >= 2);
        EXPECT_BODIES("[.[].id] | unique | length", "1");
        EXPECT_TEXT(ask_letters(&t, NULL, ".letters"), "[]"); /* nobody is charged for it */
        pawl_free(shown);
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(outbox_dispatcher, what_cannot_be_read_is_a_dead_letter_and_stops_nobody)
{
    begin(NULL);
    answer(200, 0);
    t.f.options.services_off = PAWL_SERVICE_OUTBOX;
    trouble_open(&t);
    deploy_events("three", "t", 3);
    drive_to_end(start_as("three", "ann"));
    fixture_close(&t.f);
    change_file("UPDATE outbox SET payload = '{' WHERE payload LIKE '%\"n\":2%'");
    t.f.options.services_off = 0;
    trouble_open(&t);
    ALL_PUBLISHED;
    EXPECT_BODIES("[.[].data.n]", "[1,3]");
    EXPECT_TEXT(ask_letters(&t, NULL, "[.letters[] | .state, (.error | test(\"its payload is damaged\"))]"), "[\"dead\",true]");
    trouble_done(&t);
}

/* Its clock goes on: nobody moves it, and the interval is a day. */
TEST(outbox_dispatcher, a_failure_is_tried_again_when_its_time_has_come_and_not_at_the_interval)
{
    begin(NULL);
    t.resilience.base_delay_ms = t.resilience.max_delay_ms = 20;
    t.f.options.now_ms = NULL;
    answer(500, 2);
    answer(200, 0);
    trouble_open(&t);
    deploy(&t.f, "one", "  - e: {emit: {event: {with: {type: t, source: /s}}}}");
    char *id = start(&t.f, "one", "null");
    UNTIL_SINKS(".sinks[0] | [.published, .failed]", "[1,2]");
    pawl_free(id);
    trouble_done(&t);
}

/* Where no number is given, and the delays grow: each is up to twice as long as the one before, of which chance leaves a part. */
TEST(outbox_dispatcher, what_may_fail_for_ever_is_tried_for_ever_and_later_and_later)
{
    bool longer = false;
    begin(NULL);
    t.resilience.base_delay_ms = 1000;
    t.f.options.outbox_retries = UINT32_MAX;
    answer(500, 0);
    trouble_open(&t);
    deploy(&t.f, "one", "  - e: {emit: {event: {with: {type: t, source: /s}}}}");
    char *id = start(&t.f, "one", "null");
    for (unsigned n = 1; n <= 12; n++) {
        char attempts[16];
        (void)snprintf(attempts, sizeof attempts, "[%u]", n);
        UNTIL_LETTERS("[.letters[].attempts]", attempts);
        EXPECT_TEXT(ask_letters(&t, NULL, ".letters[0].state"), "\"pending\"");
        longer = longer || strcmp(ask_letters(&t, NULL, ".letters[0] | (.nextAt | .[0:19] + \"Z\" | fromdate) - "
                                                        "(.createdAt | .[0:19] + \"Z\" | fromdate) > 3600 * (.attempts - 1) + 2"),
                                  "true") == 0;
        forward(&t, HOUR_MS);
    }
    EXPECT(longer);
    pawl_free(id);
    trouble_done(&t);
}

TEST(outbox_dispatcher, a_sink_that_asks_for_time_gets_it)
{
    begin(NULL);
    service_on(t.s, "/hook", (service_answer){ .status = 500, .headers = "Retry-After: 3000\r\n", .times = 1 });
    t.resilience.base_delay_ms = 1000;
    answer(200, 0);
    trouble_open(&t);
    deploy(&t.f, "one", "  - e: {emit: {event: {with: {type: t, source: /s}}}}");
    char *id = start(&t.f, "one", "null");
    UNTIL_LETTERS("[.letters[].attempts]", "[1]");
    EXPECT_TEXT(ask_letters(&t, NULL, ".letters[0].nextAt >= \"2027-01-15T08:50:00.000Z\""), "true");
    forward(&t, HOUR_MS);
    ALL_PUBLISHED;
    pawl_free(id);
    trouble_done(&t);
}

/* Rounds of all sinks. */
static void wait_for_rounds(uint64_t rounds)
{
    pw_service_state state = { .rounds = 0 };
    const uint64_t deadline = pw_monotonic_ns() + WAIT_MS * 1000000ull;
    while (state.rounds < rounds) {
        EXPECT(pw_monotonic_ns() < deadline);
        pw_service_look(&t.f.p->services[PW_SERVICE_OUTBOX], &state);
    }
}

TEST(outbox_dispatcher, a_commit_wakes_each_sink_that_wants_it)
{
    begin(NULL);
    answer(200, 0);
    service_on(t.s, "/other", (service_answer){ .status = 200 });
    sinks[1] = sink("other", "/other");
    sinks[1].types = "u";
    t.f.options.sink_count = 2;
    trouble_open(&t);
    wait_for_rounds(2); /* each has looked once, and would look again in a day */
    deploy(&t.f, "one", "  - e: {emit: {event: {with: {type: u, source: /s}}}}");
    char *id = start(&t.f, "one", "null");
    UNTIL_SINKS("[.sinks[].published]", "[1,1]");
    pawl_free(id);
    trouble_done(&t);
}

/* The host was built with an older header, in which an entry was shorter. */
TEST(outbox_dispatcher, sinks_of_an_older_program_are_read_by_their_size)
{
    enum { OLD = offsetof(pawl_sink_options, mode) };
    static _Alignas(pawl_sink_options) unsigned char old[2 * OLD];
    begin(NULL);
    answer(200, 0);
    service_on(t.s, "/other", (service_answer){ .status = 200 });
    sinks[1] = sink("other", "/other");
    sinks[0].types = sinks[1].types = "t";
    sinks[0].struct_size = sinks[1].struct_size = OLD;
    memcpy(old, &sinks[0], OLD);
    memcpy(old + OLD, &sinks[1], OLD);
    t.f.options.sinks = (const pawl_sink_options *)(const void *)old;
    t.f.options.sink_count = 2;
    trouble_open(&t);
    deploy(&t.f, "one", "  - e: {emit: {event: {with: {type: t, source: /s}}}}");
    char *id = start(&t.f, "one", "null");
    UNTIL_SINKS("[.sinks[] | .name, .published]", "[\"hook\",1,\"other\",1]");
    pawl_free(id);
    trouble_done(&t);
}

TEST(outbox_dispatcher, a_sink_that_is_switched_off_touches_nothing)
{
    char path[600], lock[620];
    begin(NULL);
    (void)snprintf(path, sizeof path, "%s/events.ndjson", pw_test_dir());
    (void)snprintf(lock, sizeof lock, "%s-lock", path);
    sinks[0] = (pawl_sink_options){ .struct_size = sizeof sinks[0], .name = "hook", .type = "file", .path = path };
    t.f.options.services_off = PAWL_SERVICE_OUTBOX;
    trouble_open(&t);
    EXPECT(access(path, F_OK) != 0 && access(lock, F_OK) != 0);
    fixture_close(&t.f);
    t.f.options.services_off = 0;
    trouble_open(&t);
    EXPECT(access(path, F_OK) == 0 && access(lock, F_OK) == 0);
    trouble_done(&t);
}

TEST(outbox_dispatcher, an_event_that_has_a_trace_of_its_own_keeps_it)
{
    static const char own[] = "00-11111111111111111111111111111111-2222222222222222-01";
    static const char given[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    begin(NULL);
    answer(200, 0);
    trouble_open(&t);
    deploy(&t.f, "two",
           "  - a: {emit: {event: {with: {type: t, source: /s, traceparent: 00-11111111111111111111111111111111-2222222222222222-01}}}}\n"
           "  - b: {emit: {event: {with: {type: t, source: /s}}}}");
    const pawl_request request = { .struct_size = sizeof request, .trace = given };
    const pawl_start_options options = { .struct_size = sizeof options, .name = "test/two", .request = &request };
    char *id = NULL;
    EXPECT_OK(pawl_start(t.f.p, &options, &id, NULL, &t.f.err), t.f.err);
    UNTIL_SINKS(".sinks[0].published", "2");
    EXPECT_TEXT(service_header(t.s, service_request_at(t.s, 0), "traceparent"), own);
    EXPECT_BODIES(".[0].traceparent", "\"00-11111111111111111111111111111111-2222222222222222-01\"");
    EXPECT_BODIES(".[1].traceparent | [.[0:36], . == \"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\"]",
                  "[\"00-4bf92f3577b34da6a3ce929d0e0e4736-\",false]");
    pawl_free(id);
    trouble_done(&t);
}

TEST(outbox_dispatcher, sinks_that_cannot_be_are_refused_when_it_is_opened)
{
    pawl *p = NULL;
    begin(NULL);
    sinks[1] = sink("hook", "/other");
    t.f.options.sink_count = 2;
    EXPECT_INT(pawl_open(&p, &t.f.options, &t.f.err), PAWL_INVALID);
    EXPECT_TEXT(t.f.err.message, "there are two sinks 'hook'");
    sinks[1].name = "other";
    sinks[1].type = "fax";
    EXPECT_INT(pawl_open(&p, &t.f.options, &t.f.err), PAWL_INVALID);
    EXPECT_CONTAINS(t.f.err.message, "sink 'other'");
    sinks[1].struct_size = 0;
    EXPECT_INT(pawl_open(&p, &t.f.options, &t.f.err), PAWL_INVALID);
    EXPECT_CONTAINS(t.f.err.message, "struct_size is 0");
    t.f.options.sink_count = 33;
    EXPECT_INT(pawl_open(&p, &t.f.options, &t.f.err), PAWL_INVALID);
    t.f.options.sink_count = 1;
    t.f.options.sinks = NULL;
    EXPECT_INT(pawl_open(&p, &t.f.options, &t.f.err), PAWL_INVALID);
    t.f.options.sinks = sinks;
    t.f.options.outbox_batch = 1001;
    EXPECT_INT(pawl_open(&p, &t.f.options, &t.f.err), PAWL_INVALID);
    EXPECT_TEXT(t.f.err.message, "options: outbox_batch must be at most 1000, not 1001");
    EXPECT(p == NULL);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ dead letters */

/* Two dead letters of one instance, and the first of them's id. */
static void have_letters(char event[128])
{
    begin(NULL);
    answer(410, 2);
    answer(200, 0);
    trouble_open(&t);
    deploy_events("two", "t", 2);
    drive_to_end(start_as("two", "ann"));
    UNTIL_LETTERS("[.letters[].state]", "[\"dead\",\"dead\"]");
    (void)snprintf(event, 128, "%s", ask_letters(&t, NULL, ".letters | min_by(.event) | .event | ltrimstr(\"\")"));
    if (event[0] == '"') {
        memmove(event, event + 1, strlen(event));
        event[strlen(event) - 1] = '\0';
    }
}

TEST(outbox_dispatcher, a_requeued_letter_is_published_with_its_id_and_says_so)
{
    char event[128];
    have_letters(event);
    EXPECT_OK(change_letter(event, 1), t.f.err);
    UNTIL_SINKS(".sinks[0] | [.published, .dead]", "[1,1]");
    EXPECT_BODIES("[.[] | .data.n, .pawlrequeued]", "[1,null,2,null,1,true]");
    EXPECT_BODIES(".[0].id == .[2].id", "true");
    EXPECT_INT(change_letter(event, 1), PAWL_STATE);
    EXPECT_CONTAINS(t.f.err.message, "is published at sink 'hook'");
    EXPECT_INT(change_letter("nobody-2-1", 1), PAWL_NOT_FOUND);
    EXPECT_INT(t.f.err.reason, PAWL_REASON_NO_LETTER);
    trouble_done(&t);
}

TEST(outbox_dispatcher, a_requeued_letter_waits_for_no_interval)
{
    char event[128];
    have_letters(event);
    fixture_close(&t.f);
    trouble_open(&t);
    wait_for_rounds(1); /* it has looked, and would look again in a day */
    EXPECT_OK(change_letter(event, 1), t.f.err);
    UNTIL_SINKS(".sinks[0] | [.published, .dead]", "[1,1]");
    trouble_done(&t);
}

/* The same event is dead at two sinks: who names neither of them is not guessed at. */
TEST(outbox_dispatcher, a_letter_is_changed_at_the_sink_that_is_named)
{
    char event[128];
    begin(NULL);
    answer(410, 1);
    answer(200, 0);
    service_on(t.s, "/other", (service_answer){ .status = 410, .times = 1 });
    sinks[1] = sink("other", "/other");
    sinks[1].types = "t";
    t.f.options.sink_count = 2;
    trouble_open(&t);
    deploy(&t.f, "one", "  - e: {emit: {event: {with: {type: t, source: /s}}}}");
    char *id = start(&t.f, "one", "null");
    UNTIL_LETTERS("[.letters[].state]", "[\"dead\",\"dead\"]");
    (void)snprintf(event, sizeof event, "%s", ask_letters(&t, NULL, ".letters[0].event") + 1);
    event[strlen(event) - 1] = '\0'; /* its quotes */
    EXPECT(change_letter(event, 0) != PAWL_OK);
    EXPECT_OK(pawl_letter_change(t.f.p, event, "other", NULL, 0, NULL, NULL, NULL, &t.f.err), t.f.err);
    EXPECT_TEXT(ask_letters(&t, NULL, "[.letters | sort_by(.sink)[] | .sink, .state]"), "[\"hook\",\"dead\",\"other\",\"discarded\"]");
    pawl_free(id);
    trouble_done(&t);
}

/* What is pending is no letter, whatever the filter says of it. More than fit into one transaction. */
TEST(outbox_dispatcher, all_letters_are_changed_and_nothing_else)
{
    char *out = NULL;
    begin(NULL);
    t.f.options.services_off = PAWL_SERVICE_OUTBOX;
    trouble_open(&t);
    deploy(&t.f, "many", "  - each: {for: {in: '${ [range(502)] }'}, do: [{e: {emit: {event: {with: {type: t, source: /s}}}}}]}");
    drive_to_end(start(&t.f, "many", "null"));
    fixture_close(&t.f);
    EXPECT_TEXT(ask_file(&t, "SELECT count(*) FROM outbox_delivery"), "502");
    change_file("UPDATE outbox_delivery SET state = 'dead', attempts = 3, ended_ms = 1, next_at = NULL "
                "WHERE (step, ordinal) <> (SELECT step, ordinal FROM outbox_delivery ORDER BY step DESC, ordinal DESC LIMIT 1)");
    trouble_open(&t);
    const pawl_letters_options all = { .struct_size = sizeof all, .all = 1 };
    EXPECT_OK(pawl_letter_change(t.f.p, NULL, NULL, &all, 0, NULL, NULL, &out, &t.f.err), t.f.err);
    EXPECT_ASK(out, ".changed", "501");
    pawl_free(out);
    EXPECT_TEXT(ask_sinks(&t, NULL, ".sinks[0] | [.pending, .dead]"), "[1,0]");
    trouble_done(&t);
}

TEST(outbox_dispatcher, a_discarded_letter_is_published_never)
{
    char event[128];
    have_letters(event);
    EXPECT_OK(change_letter(event, 0), t.f.err);
    EXPECT_OK(change_letter(event, 0), t.f.err); /* the same again */
    EXPECT_INT(change_letter(event, 1), PAWL_STATE);
    EXPECT_TEXT(ask_letters(&t, NULL, "[.letters[] | .state, .by, .reason]"),
                "[\"dead\",null,null,\"discarded\",\"kim\",\"the sink is well\"]");
    EXPECT_TEXT(ask_sinks(&t, NULL, ".sinks[0] | [.pending, .dead]"), "[0,1]");
    trouble_done(&t);
}

TEST(outbox_dispatcher, letters_are_changed_together_as_a_filter_wants_them)
{
    char event[128], *out = NULL;
    have_letters(event);
    const pawl_letters_options none = { .struct_size = sizeof none, .sink = "other" };
    const pawl_letters_options hook = { .struct_size = sizeof hook, .sink = "hook", .namespaces = "[\"test\"]", .limit = 1 };
    const pawl_letters_options nowhere = { .struct_size = sizeof nowhere, .namespaces = "[]" };
    EXPECT_OK(pawl_letter_change(t.f.p, NULL, NULL, &none, 1, NULL, NULL, &out, &t.f.err), t.f.err);
    EXPECT_TEXT(out, "{\"changed\":0}");
    pawl_free(out);
    EXPECT_OK(pawl_letter_change(t.f.p, NULL, NULL, &nowhere, 1, NULL, NULL, &out, &t.f.err), t.f.err);
    EXPECT_TEXT(out, "{\"changed\":0}");
    pawl_free(out);
    EXPECT_OK(pawl_letters(t.f.p, &nowhere, &out, &t.f.err), t.f.err);
    EXPECT_TEXT(out, "{\"letters\":[]}");
    pawl_free(out);
    EXPECT_OK(pawl_letter_change(t.f.p, NULL, NULL, &hook, 1, NULL, NULL, &out, &t.f.err), t.f.err);
    EXPECT_TEXT(out, "{\"changed\":2}");
    pawl_free(out);
    ALL_PUBLISHED;
    EXPECT_BODIES("[.[].data.n]", "[1,2,1,2]");
    EXPECT_TEXT(ask_letters(&t, NULL, ".letters"), "[]");
    trouble_done(&t);
}

static const pawl_letters_options unsized = { .struct_size = 0 }, many = { .struct_size = sizeof many, .limit = 1001 },
                                  no_names = { .struct_size = sizeof no_names, .namespaces = "{}" };

TEST(outbox_dispatcher, who_asks_wrongly_for_letters_is_told_what_is_wrong)
{
    char event[128], *out = NULL, *long_reason = pw_zalloc(PW_REASON_MAX + 2);
    have_letters(event);
    EXPECT_INT(pawl_letters(NULL, NULL, &out, &t.f.err), PAWL_INVALID);
    EXPECT_INT(pawl_letters(t.f.p, NULL, NULL, &t.f.err), PAWL_INVALID);
    EXPECT_TEXT(t.f.err.message, "dead letters: the pawl or out is NULL");
    EXPECT_INT(pawl_letter(t.f.p, NULL, NULL, &out, &t.f.err), PAWL_INVALID);
    EXPECT_INT(pawl_letter(t.f.p, event, NULL, NULL, &t.f.err), PAWL_INVALID);
    EXPECT_TEXT(t.f.err.message, "dead letter: the pawl, the event or out is NULL");
    EXPECT_INT(pawl_sinks(t.f.p, NULL, &t.f.err), PAWL_INVALID);
    EXPECT_TEXT(t.f.err.message, "sinks: the pawl or out is NULL");
    EXPECT_INT(pawl_letters(t.f.p, &unsized, &out, &t.f.err), PAWL_INVALID);
    EXPECT_TEXT(t.f.err.message, "pawl_letters_options: struct_size is 0; set it to sizeof(pawl_letters_options)");
    EXPECT_INT(pawl_letters(t.f.p, &many, &out, &t.f.err), PAWL_INVALID);
    EXPECT_CONTAINS(t.f.err.message, "dead letters");
    EXPECT_INT(pawl_letters(t.f.p, &no_names, &out, &t.f.err), PAWL_INVALID);
    EXPECT_CONTAINS(t.f.err.message, "dead letters: namespaces");
    EXPECT_INT(pawl_letter(t.f.p, event, "other", &out, &t.f.err), PAWL_NOT_FOUND);
    EXPECT_INT(t.f.err.reason, PAWL_REASON_NO_LETTER);
    EXPECT_INT(pawl_letter_change(t.f.p, event, "other", NULL, 1, NULL, NULL, &out, &t.f.err), PAWL_NOT_FOUND);
    EXPECT_INT(pawl_letter_change(t.f.p, NULL, NULL, &unsized, 1, NULL, NULL, &out, &t.f.err), PAWL_INVALID);
    memset(long_reason, 'x', PW_REASON_MAX + 1);
    EXPECT_INT(pawl_letter_change(t.f.p, event, NULL, NULL, 1, long_reason, NULL, &out, &t.f.err), PAWL_INVALID);
    EXPECT_CONTAINS(t.f.err.message, "dead letter: reason");
    EXPECT(out == NULL);
    UNTIL_SINKS(".sinks[0] | [.published, .dead]", "[0,2]"); /* nothing was changed by it */
    pw_free(long_reason);
    trouble_done(&t);
}

TEST(outbox_dispatcher, letters_are_listed_in_pages_and_as_a_filter_wants_them)
{
    char event[128], next[200], *text = NULL;
    have_letters(event);
    pawl_letters_options one = { .struct_size = sizeof one, .limit = 1 };
    EXPECT_OK(pawl_letters(t.f.p, &one, &text, &t.f.err), t.f.err);
    EXPECT_ASK(text, "[(.letters | length), has(\"next\")]", "[1,true]");
    EXPECT(strstr(text, event) == NULL); /* the newest first */
    (void)snprintf(next, sizeof next, "%s", ask(text, ".next") + 1);
    next[strlen(next) - 1] = '\0';
    pawl_free(text);
    one.after = next;
    EXPECT_OK(pawl_letters(t.f.p, &one, &text, &t.f.err), t.f.err);
    EXPECT_ASK(text, "[(.letters | length), has(\"next\")]", "[1,false]");
    EXPECT_CONTAINS(text, event);
    pawl_free(text);
    const struct {
        pawl_letters_options options;
        const char *count;
    } cases[] = {
        { { .type = "t" }, "2" },
        { { .type = "u" }, "0" },
        { { .sink = "hook" }, "2" },
        { { .sink = "other" }, "0" },
        { { .instance = "nobody" }, "0" },
        { { .namespaces = "[\"test\"]" }, "2" },
        { { .namespaces = "[\"other\"]" }, "0" },
        { { .namespaces = "[]" }, "0" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl_letters_options options = cases[i].options;
        options.struct_size = sizeof options;
        EXPECT_OK(pawl_letters(t.f.p, &options, &text, &t.f.err), t.f.err);
        EXPECT_ASK(text, ".letters | length", cases[i].count);
        pawl_free(text);
    }
    trouble_done(&t);
}

TEST(outbox_dispatcher, a_letter_whose_payload_is_damaged_is_listed_and_not_shown)
{
    char event[128], *text = NULL;
    have_letters(event);
    fixture_close(&t.f);
    change_file("UPDATE outbox SET payload = '{' WHERE type = 't'");
    trouble_open(&t);
    EXPECT_TEXT(ask_letters(&t, NULL, "[.letters[].state]"), "[\"dead\",\"dead\"]");
    EXPECT_INT(pawl_letter(t.f.p, event, NULL, &text, &t.f.err), PAWL_CORRUPT);
    EXPECT_CONTAINS(t.f.err.message, event);
    EXPECT_CONTAINS(t.f.err.message, "': stored payload: JSON line 1, column 2");
    EXPECT(text == NULL);
    EXPECT_OK(change_letter(event, 0), t.f.err); /* to be rid of it needs no payload */
    trouble_done(&t);
}

TEST(outbox_dispatcher, a_sink_that_is_not_set_up_any_more_is_listed_as_long_as_it_has_letters)
{
    char event[128];
    have_letters(event);
    fixture_close(&t.f);
    sinks[1] = sink("new", "/new");
    sinks[1].types = "none";
    t.f.options.sinks = &sinks[1];
    trouble_open(&t);
    EXPECT_TEXT(ask_sinks(&t, NULL, "[.sinks[] | .name, .state, .pending, .dead, .published]"),
                "[\"new\",\"unknown\",0,0,0,\"hook\",\"unknown\",0,2,0]");
    EXPECT_TEXT(ask_letters(&t, NULL, "[.letters[].sink]"), "[\"hook\",\"hook\"]");
    trouble_done(&t);
}

TEST(outbox_dispatcher, a_letter_is_changed_whole_or_not_when_the_store_fails)
{
    for (int applied = 0; applied < 2; applied++) {
        begin("memory:");
        answer(410, 1);
        answer(200, 0);
        trouble_open(&t);
        deploy(&t.f, "one", "  - e: {emit: {event: {with: {type: t, source: /s}}}}");
        drive_to_end(start(&t.f, "one", "null"));
        UNTIL_LETTERS("[.letters[].state]", "[\"dead\"]");
        ALL_PUBLISHED; /* and its round is over: no other commit comes */
        pw_memory_fail_commit(t.f.p->store, 1, applied);
        EXPECT_INT(pawl_letter_change(t.f.p, NULL, NULL, NULL, 0, "enough", NULL, NULL, &t.f.err), PAWL_IO);
        pawl_letters_options all = { .struct_size = sizeof all, .all = 1 };
        char *text = NULL;
        EXPECT_OK(pawl_letters(t.f.p, &all, &text, &t.f.err), t.f.err);
        EXPECT_ASK(text, "[.letters[].state]", applied ? "[\"discarded\"]" : "[\"dead\"]");
        pawl_free(text);
        text = NULL;
        pawl_code code;
        while ((code = pawl_letter_change(t.f.p, NULL, NULL, NULL, 0, "enough", NULL, &text, &t.f.err)) == PAWL_IO)
            (void)sched_yield(); /* until it was opened again */
        EXPECT_OK(code, t.f.err);
        EXPECT_TEXT(text, applied ? "{\"changed\":0}" : "{\"changed\":1}");
        pawl_free(text);
        UNTIL_LETTERS("[.letters[].state]", "[\"discarded\"]");
        trouble_done(&t);
    }
}

TEST(outbox_dispatcher, who_only_looks_changes_no_letter)
{
    char event[128];
    have_letters(event);
    pawl_options options = test_options();
    options.store = t.f.store;
    options.mode = PAWL_READ;
    pawl *reader = NULL;
    char *text = NULL;
    EXPECT_OK(pawl_open(&reader, &options, &t.f.err), t.f.err);
    EXPECT_OK(pawl_letter(reader, event, NULL, &text, &t.f.err), t.f.err);
    EXPECT_ASK(text, "[.state, .payload.data.n]", "[\"dead\",1]");
    pawl_free(text);
    EXPECT_OK(pawl_sinks(reader, &text, &t.f.err), t.f.err);
    EXPECT_ASK(text, "[.sinks[] | .name, .dead]", "[\"hook\",2]");
    pawl_free(text);
    EXPECT_INT(pawl_letter_change(reader, event, NULL, NULL, 1, NULL, NULL, &text, &t.f.err), PAWL_INVALID);
    EXPECT_CONTAINS(t.f.err.message, "PAWL_READ");
    pawl_close(reader);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ what is said of it */

static void keep_letters(void *context, const char *line)
{
    pw_buf *buf = context;
    if (strstr(line, "\"event.dead\""))
        pw_buf_printf(buf, "%c%s", buf->len ? ',' : '[', line);
}

TEST(outbox_dispatcher, a_dead_letter_is_logged_once_by_what_it_is_and_not_by_what_is_in_it)
{
    pw_buf said;
    pw_buf_init(&said, 0);
    const pawl_logging logging = { .struct_size = sizeof logging, .level = "error", .on_line = keep_letters, .context = &said };
    EXPECT_OK(pawl_logging_start(&logging, &t.f.err), t.f.err);
    begin(NULL);
    answer(500, 1);
    answer(410, 0);
    trouble_open(&t);
    deploy(&t.f, "one", "  - e: {emit: {event: {with: {type: t, source: /s, data: hunter2}}}}");
    char *id = start(&t.f, "one", "null");
    UNTIL_LETTERS("[.letters[].attempts]", "[1]");
    forward(&t, HOUR_MS);
    UNTIL_LETTERS("[.letters[] | .state, .attempts]", "[\"dead\",2]");
    trouble_done(&t);
    pawl_logging_stop();
    pw_buf_text(&said, "]");
    pw_buf_char(&said, '\0');
    EXPECT_ASK(said.ptr, "[.[] | .level, .component, .sink, .type, .attempts]", "[\"error\",\"outbox\",\"hook\",\"t\",2]");
    EXPECT_ASK(said.ptr, ".[0].message | test(\"is a dead letter at sink 'hook': .*410\")", "true");
    EXPECT_CONTAINS(said.ptr, id);
    EXPECT(strstr(said.ptr, "hunter2") == NULL);
    pawl_free(id);
    pw_buf_done(&said);
}

/* ------------------------------------------------------------------ stop */

TEST(outbox_dispatcher, what_is_under_way_at_the_close_is_nobodys_failure_and_comes_again)
{
    begin(NULL);
    service_on(t.s, "/hook", (service_answer){ .status = 200, .hold = true, .times = 1 });
    answer(200, 0);
    trouble_open(&t);
    deploy(&t.f, "one", "  - e: {emit: {event: {with: {type: t, source: /s}}}}");
    char *id = start(&t.f, "one", "null");
    service_wait_held(t.s, 1);
    fixture_close(&t.f); /* it does not wait for the answer */
    EXPECT_TEXT(ask_file(&t, "SELECT state || attempts FROM outbox_delivery"), "pending0");
    trouble_open(&t);
    ALL_PUBLISHED;
    EXPECT_INT(service_requests(t.s), 2);
    EXPECT_BODIES("[.[].id] | unique | length", "1");
    service_release(t.s, 1);
    pawl_free(id);
    trouble_done(&t);
}

TEST(outbox_dispatcher, what_was_taken_before_the_close_is_written)
{
    begin(NULL);
    answer(200, 1);
    service_on(t.s, "/hook", (service_answer){ .status = 200, .hold = true, .times = 1 });
    answer(200, 0);
    trouble_open(&t);
    deploy(&t.f, "two",
           "  - a: {emit: {event: {with: {type: t, source: /s, data: 1}}}}\n"
           "  - b: {emit: {event: {with: {type: t, source: /s, data: 2}}}}");
    char *id = start(&t.f, "two", "null");
    service_wait_held(t.s, 1);
    fixture_close(&t.f);
    EXPECT_TEXT(ask_file(&t, "SELECT group_concat(state || attempts) FROM outbox_delivery"), "published0,pending0");
    trouble_open(&t);
    ALL_PUBLISHED;
    EXPECT_BODIES("[.[].data]", "[1,2,2]");
    service_release(t.s, 1);
    pawl_free(id);
    trouble_done(&t);
}

TEST_MAIN()
