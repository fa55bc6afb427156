/* What the log says of instances: each line with its three ids, never what was given to them, and what was done by whom. Traces: the
 * spans of an instance, as a collector gets them. */
#include <unistd.h>
#include "trouble.h"

/* The lines of the log as a JSON array; whole once it has stopped. */
typedef struct heard {
    pthread_mutex_t lock; /* for who reads before that */
    char *text;
    size_t len;
} heard;

static void hear(void *context, const char *line)
{
    heard *h = context;
    const size_t len = strlen(line);
    (void)pthread_mutex_lock(&h->lock);
    h->text = realloc(h->text, h->len + len + 3);
    h->text[h->len] = h->len ? ',' : '[';
    memcpy(h->text + h->len + 1, line, len);
    h->len += len + 1;
    memcpy(h->text + h->len, "]", 2);
    (void)pthread_mutex_unlock(&h->lock);
}

/* Until some line has this in it: one that a thread of the engine's own writes when it comes to it. */
static void until_heard(heard *h, const char *part)
{
    const uint64_t deadline = pw_monotonic_ns() + WAIT_MS * 1000000ull;
    for (bool found = false; !found; (void)usleep(1000)) {
        (void)pthread_mutex_lock(&h->lock);
        found = h->text && strstr(h->text, part);
        (void)pthread_mutex_unlock(&h->lock);
        if (!found && pw_monotonic_ns() > deadline)
            fail_msg("the log has no %s", part);
    }
}

static void listen_to(heard *h, const char *level)
{
    pawl_error err;
    *h = (heard){ .lock = PTHREAD_MUTEX_INITIALIZER };
    const pawl_logging logging = { .struct_size = sizeof logging, .level = level, .on_line = hear, .context = h };
    EXPECT_OK(pawl_logging_start(&logging, &err), err);
}

static void ends(heard *h)
{
    pawl_logging_stop();
    EXPECT(h->text != NULL);
}

#define SECRET "hunter2"

/* ------------------------------------------------------------------ ids, and nothing else */

TEST(log_of_instances, every_line_about_an_instance_has_its_three_ids)
{
    trouble t;
    heard h;
    listen_to(&h, "debug");
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/pay", (service_answer){ .status = 500, .times = 1 });
    service_on(t.s, "/pay", (service_answer){ .headers = "Content-Type: application/json\r\n", .body = "{}" });
    deploy_call(&t, "pay", "/pay", NULL);
    char *id = NULL, *plain = start(&t.f, "pay", NULL);
    const pawl_request request = { .struct_size = sizeof request, .correlation = "order-7",
                                   .trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" };
    const pawl_start_options options = { .struct_size = sizeof options, .name = "pay", .request = &request };
    (void)drive(&t, plain);
    EXPECT_OK(pawl_start(t.f.p, &options, &id, NULL, &t.f.err), t.f.err);
    (void)drive(&t, id);
    trouble_done(&t);
    ends(&h);
    EXPECT_ASK(h.text, "[.[] | select(has(\"instance\")) | has(\"correlation\") and (.trace | test(\"^[0-9a-f]{32}$\"))] | all", "true");
    EXPECT_ASK(h.text, "[.[] | select(.correlation == \"order-7\") | .trace] | unique", "[\"4bf92f3577b34da6a3ce929d0e0e4736\"]");
    char of_plain[256];
    (void)snprintf(of_plain, sizeof of_plain, "[.[] | select(.instance == \"%s\")] | [(map(.correlation) | unique == [\"%s\"]), (map(.trace) | unique | length)]",
                   plain, plain);
    EXPECT_ASK(h.text, of_plain, "[true,1]");
    (void)snprintf(of_plain, sizeof of_plain, "[.[] | select(.instance == \"%s\" and .event == \"call.ended\") | [.component, .method, .status, .attempt]]", plain);
    EXPECT_ASK(h.text, of_plain, "[[\"http\",\"POST\",500,1],[\"http\",\"POST\",200,2]]");
    (void)snprintf(of_plain, sizeof of_plain, "[.[] | select(.instance == \"%s\" and .component == \"engine\") | .entry // .event]", plain);
    EXPECT_ASK(h.text, of_plain, "[\"instance.started\",\"task.started\",\"attempt.failed\",\"attempt.started\",\"task.completed\","
                                 "\"instance.completed\",\"instance.completed\"]");
    pawl_free(id);
    pawl_free(plain);
    free(h.text);
}

/* Whatever a user may have put somewhere: what goes in, what comes back, what went wrong. */
TEST(log_of_instances, nothing_that_was_given_to_one_is_in_any_line)
{
    trouble t;
    heard h;
    char text[2048];
    listen_to(&h, "debug");
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/s", (service_answer){ .headers = "X-Key: " SECRET "\r\nContent-Type: application/json\r\n", .body = "{\"a\":\"" SECRET "\"}" });
    service_on(t.s, "/no", (service_answer){ .status = 400, .headers = "Content-Type: application/json\r\n", .body = "{\"title\":\"" SECRET "\"}" });
    (void)snprintf(text, sizeof text,
                   "  - ask: {call: http, with: {method: post, endpoint: 'http://user:" SECRET "@127.0.0.1:%d/s?token=" SECRET "', "
                   "headers: {Authorization: 'Bearer " SECRET "', X-A: '${ .in }'}, body: {a: '${ .in }'}}}\n"
                   "  - keep: {set: {b: '" SECRET "', in: '${ .a }'}}\n"
                   "  - emits: {emit: {event: {with: {source: 'http://e/" SECRET "', type: t.a, data: {a: '${ .in }'}}}}}\n"
                   "  - no: {call: http, with: {method: get, endpoint: 'http://127.0.0.1:%d/no'}}\n",
                   service_port(t.s), service_port(t.s));
    deploy(&t.f, "calls", text);
    char *one = start(&t.f, "calls", "{\"in\":\"" SECRET "\"}");
    (void)drive(&t, one);
    deploy(&t.f, "raises", "  - no: {raise: {error: {type: 'http://u:" SECRET "@e/x?" SECRET "', status: 418, title: " SECRET ", detail: '${ .in }'}}}\n");
    char *two = start(&t.f, "raises", "{\"in\":\"" SECRET "\"}");
    (void)drive(&t, two);
    deploy(&t.f, "wrong", "  - no: {set: {a: '${ .in + 1 }'}}\n");
    char *three = start(&t.f, "wrong", "{\"in\":\"" SECRET "\"}");
    (void)drive(&t, three);
    deploy(&t.f, "asks", "  - ask: {call: userTask, with: {key: ok, title: " SECRET "}}");
    char *four = start(&t.f, "asks", "{\"in\":\"" SECRET "\"}");
    EXPECT_OK(pawl_resume(t.f.p, four, "ok", "{\"n\":\"" SECRET "\"}", "ann", &t.f.err), t.f.err);
    char *five = start(&t.f, "asks", NULL);
    EXPECT_OK(pawl_cancel(t.f.p, five, "ann", SECRET, &t.f.err), t.f.err);
    trouble_done(&t);
    ends(&h);
    EXPECT_ASK(h.text, "length > 40", "true");
    EXPECT_ASK(h.text, "[.[] | select(tojson | contains(\"" SECRET "\"))]", "[]");
    EXPECT_ASK(h.text, "[.[] | select(.event == \"incident.opened\") | [.level, .task, .class, .error, .status]]",
               "[[\"warning\",\"/do/3/no\",\"client-error\",\"https://open-workflow-specification.org/spec/1.0.0/errors/communication\",\"400\"],"
               "[\"warning\",\"/do/0/no\",\"business\",\"http://e/x\",\"418\"],"
               "[\"warning\",\"/do/0/no\",\"argument\",\"https://open-workflow-specification.org/spec/1.0.0/errors/expression\",\"400\"]]");
    pawl_free(one);
    pawl_free(two);
    pawl_free(three);
    pawl_free(four);
    pawl_free(five);
    free(h.text);
}

/* ------------------------------------------------------------------ what was done, and by whom */

TEST(log_of_instances, what_people_did_is_said_with_who_did_it)
{
    fixture f;
    heard h;
    char *out = NULL;
    listen_to(&h, "info");
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "bad", "  - work: {call: failing, with: {n: 1}}\n");
    deploy(&f, "ask", "  - ask: {call: userTask, with: {key: ok}}");
    char *bad = start(&f, "bad", NULL), *asks = start(&f, "ask", NULL);
    pawl_free(finish(&f, bad));
    const pawl_request ann = { .struct_size = sizeof ann, .actor = "ann" };
    EXPECT_OK(pawl_change_with(f.p, bad, PAWL_FAIL, "because", &ann, &out, &f.err), f.err);
    pawl_free(out);
    EXPECT_OK(pawl_change_with(f.p, asks, PAWL_SUSPEND, "because", &ann, &out, &f.err), f.err);
    pawl_free(out);
    EXPECT_OK(pawl_change_with(f.p, asks, PAWL_CONTINUE, "because", &ann, &out, &f.err), f.err);
    pawl_free(out);
    EXPECT_OK(pawl_cancel(f.p, asks, "bob", NULL, &f.err), f.err);
    until_heard(&h, "\"recovery.done\"");
    fixture_done(&f);
    ends(&h);
    EXPECT_ASK(h.text, "[.[] | select(has(\"instance\")) | [.level, .event, .action // .how // .decision // .name, .by] | map(. // \"-\") | join(\" \")]",
               "[\"warning incident.opened incident -\",\"warning instance.faulted bad system\",\"info instance.acted fail ann\","
               "\"info incident.resolved failed ann\",\"info instance.acted suspend ann\",\"warning instance.suspended ask ann\","
               "\"info instance.acted continue ann\",\"info instance.continued ask ann\",\"info instance.acted cancel bob\","
               "\"info instance.cancelled ask bob\"]");
    EXPECT_ASK(h.text, "[.[] | select(has(\"instance\") | not) | [.component, .event]] | unique | map(join(\":\"))",
               "[\"engine:definition.published\",\"engine:engine.closed\",\"engine:engine.closing\",\"engine:engine.opened\",\"engine:recovery.done\"]");
    pawl_free(bad);
    pawl_free(asks);
    free(h.text);
}

TEST(log_of_instances, a_store_that_fails_and_commands_that_are_tried_again_are_said)
{
    trouble t;
    heard h;
    listen_to(&h, "info");
    trouble_init(&t, NULL);
    t.resilience.store_ms = 300; /* for the one start, which fails */
    trouble_open(&t);
    deploy(&t.f, "ask", "  - ask: {call: userTask, with: {key: ok}}");
    char *id = NULL;
    const pawl_start_options options = { .struct_size = sizeof options, .name = "ask" };
    fill_disk(true);
    EXPECT_INT(pawl_start(t.f.p, &options, &id, NULL, &t.f.err), PAWL_IO);
    fill_disk(false);
    while (pawl_health(t.f.p, &t.f.err) != PAWL_OK) /* the committer tries once a second */
        (void)usleep(1000);
    trouble_done(&t);
    ends(&h);
    EXPECT_ASK(h.text, "[.[] | select(.component == \"store\") | [.level, .event]]", "[[\"error\",\"store.failing\"],[\"info\",\"store.works\"]]");
    EXPECT_ASK(h.text, "[.[] | select(.event == \"command.failed\") | [.level, .command, .code]]", "[[\"warning\",\"start\",\"io\"]]");
    EXPECT_ASK(h.text, "[.[] | select(.event == \"command.failed\")] | all(has(\"instance\") and has(\"correlation\") and has(\"trace\"))", "true");
    free(h.text);
}

/* ------------------------------------------------------------------ lines of a host, levels at run time */

TEST(log_of_instances, a_host_has_lines_of_its_own_and_changes_the_levels)
{
    pawl_error err;
    heard h;
    listen_to(&h, "warning");
    pawl_logging_line("info", "shop", "shop.opened", NULL, "nobody hears it", NULL);
    EXPECT(!pawl_logging_wants("info", "shop") && pawl_logging_wants("warning", "shop"));
    EXPECT_OK(pawl_logging_level("warning,shop=debug", &err), err);
    EXPECT_TEXT(pawl_logging_levels(), "warning,shop=debug");
    pawl_logging_line("debug", "shop", "shop.sold", "i1", "one \"thing\"", "{\"price\":1.50,\"count\":3,\"rush\":true,\"to\":\"ann\",\"what\":[1],\"time\":1,\"a b\":2}");
    pawl_logging_line("error", "shop", "shop.burned", NULL, NULL, "no JSON");
    pawl_logging_line("loud", "shop", "x", NULL, NULL, NULL);
    pawl_logging_line(NULL, NULL, NULL, NULL, NULL, NULL);
    EXPECT_INT(pawl_logging_level("shop=loud", &err), PAWL_INVALID);
    EXPECT_INT(pawl_logging_level(NULL, &err), PAWL_INVALID);
    EXPECT_TEXT(pawl_logging_levels(), "warning,shop=debug");
    ends(&h);
    EXPECT_TEXT(pawl_logging_levels(), "off");
    EXPECT_ASK(h.text, "map(del(.time, .trace))",
               "[{\"level\":\"debug\",\"component\":\"shop\",\"event\":\"shop.sold\",\"message\":\"one \\\"thing\\\"\",\"instance\":\"i1\","
               "\"correlation\":\"i1\",\"price\":\"1.50\",\"count\":3,\"rush\":true,\"to\":\"ann\",\"what\":\"[1]\"},"
               "{\"level\":\"error\",\"component\":\"shop\",\"event\":\"shop.burned\",\"message\":\"\"}]");
    free(h.text);
}

TEST(log_of_instances, a_log_that_cannot_be_is_refused)
{
    pawl_error err;
    pawl_logging logging = { .struct_size = sizeof logging, .format = "xml" };
    EXPECT_INT(pawl_logging_start(&logging, &err), PAWL_INVALID);
    EXPECT_TEXT(err.message, "'xml' is no format of the log: auto, json, human and journal are");
    logging = (pawl_logging){ .struct_size = sizeof logging, .level = "x" };
    EXPECT_INT(pawl_logging_start(&logging, &err), PAWL_INVALID);
    logging = (pawl_logging){ .struct_size = 0 };
    EXPECT_INT(pawl_logging_start(&logging, &err), PAWL_INVALID);
    EXPECT_INT(pawl_logging_level("info", &err), PAWL_CONFLICT);
    pawl_logging_stop();
}

/* ------------------------------------------------------------------ traces */

/* All spans that the collector got, as a JSON array. */
static char *spans_of(service *s)
{
    char *all = NULL;
    size_t len = 0;
    for (unsigned i = 0; i < service_requests(s); i++) {
        const service_request *r = service_request_at(s, i);
        if (strcmp(r->path, "/v1/traces") != 0)
            continue;
        char *spans = strstr(r->body, "\"spans\":[") + 9;
        const size_t more = strlen(spans) - strlen("]}]}]}");
        all = realloc(all, len + more + 3);
        all[len] = len ? ',' : '[';
        memcpy(all + len + 1, spans, more);
        len += more + 1;
        memcpy(all + len, "]", 2);
    }
    return all;
}

TEST(log_of_instances, its_spans_are_one_tree_from_start_to_end)
{
    trouble t;
    trouble_init(&t, NULL);
    service *collector = service_new();
    service_on(collector, "/v1/traces", (service_answer){ .body = "{}" });
    t.f.options.trace_endpoint = service_url(collector, "");
    trouble_open(&t);
    service_on(t.s, "/pay", (service_answer){ .status = 500, .times = 1 });
    service_on(t.s, "/pay", (service_answer){ .headers = "Content-Type: application/json\r\n", .body = "{}" });
    deploy_call(&t, "pay", "/pay", NULL);
    char *id = start(&t.f, "pay", NULL);
    (void)drive(&t, id);
    char sent[2][56];
    for (unsigned i = 0; i < 2; i++)
        (void)snprintf(sent[i], sizeof sent[i], "%.55s", strstr(service_request_at(t.s, i)->head, "traceparent: ") + 13);
    trouble_done(&t); /* what is left is sent */
    char *spans = spans_of(collector);
    EXPECT(spans != NULL);
    EXPECT_ASK(spans, "map(.traceId) | unique | length", "1");
    EXPECT_ASK(spans, "map(select(.name == \"workflow test/pay\")) | [length, (.[0] | has(\"parentSpanId\"))]", "[1,false]");
    EXPECT_ASK(spans, "(map(select(.name == \"workflow test/pay\"))[0].spanId) as $root | map(select(.name | startswith(\"step \"))) | "
                      "[length, all(.parentSpanId == $root)]",
               "[4,true]");
    EXPECT_ASK(spans, "map(select(.kind == 3)) as $calls | [$calls[] | [.name, .status.code // 0]]", "[[\"POST\",2],[\"POST\",0]]");
    EXPECT_ASK(spans, "map(.spanId) as $all | map(select(has(\"parentSpanId\"))) | all(.parentSpanId | IN($all[]))", "true");
    for (unsigned i = 0; i < 2; i++) { /* what was sent to the service names these spans */
        char expression[256];
        (void)snprintf(expression, sizeof expression, "map(select(.kind == 3))[%u] | \"00-\" + .traceId + \"-\" + .spanId + \"-01\"", i);
        char wanted[64];
        (void)snprintf(wanted, sizeof wanted, "\"%s\"", sent[i]);
        EXPECT_ASK(spans, expression, wanted);
    }
    free(spans);
    pawl_free(id);
    service_free(collector);
}

TEST(log_of_instances, its_spans_are_below_what_has_started_it_and_only_if_that_is_sampled)
{
    trouble t;
    trouble_init(&t, NULL);
    service *collector = service_new();
    service_on(collector, "/v1/traces", (service_answer){ .body = "{}" });
    t.f.options.trace_endpoint = service_url(collector, "");
    t.f.options.trace_ratio = -1; /* none begin here */
    trouble_open(&t);
    deploy(&t.f, "one", "  - keep: {set: {a: 1}}\n  - say: {emit: {event: {with: {source: 'http://e/s', type: t.said}}}}\n");
    static const char *const given[] = { NULL, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
                                         "00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" };
    for (size_t i = 0; i < PW_LENGTH(given); i++) {
        char *id = NULL;
        const pawl_request request = { .struct_size = sizeof request, .trace = given[i] };
        const pawl_start_options options = { .struct_size = sizeof options, .name = "one", .request = &request };
        EXPECT_OK(pawl_start(t.f.p, &options, &id, NULL, &t.f.err), t.f.err);
        pawl_free(finish(&t.f, id));
        pawl_free(id);
    }
    trouble_done(&t);
    char *spans = spans_of(collector);
    EXPECT(spans != NULL);
    EXPECT_ASK(spans, "map(.traceId) | unique", "[\"5bf92f3577b34da6a3ce929d0e0e4736\"]");
    EXPECT_ASK(spans, "map(select(.name == \"workflow test/one\").parentSpanId)", "[\"00f067aa0ba902b7\"]");
    EXPECT_ASK(spans, "map(select(.kind == 4) | [.name, (.attributes[] | select(.key == \"messaging.destination.name\").value.stringValue)])",
               "[[\"publish\",\"io.serverlessworkflow.workflow.started.v1\"],[\"publish\",\"t.said\"],"
               "[\"publish\",\"io.serverlessworkflow.workflow.completed.v1\"]]");
    free(spans);
    service_free(collector);
}

TEST(log_of_instances, an_event_that_is_published_carries_its_span)
{
    trouble t;
    trouble_init(&t, NULL);
    service *collector = service_new();
    service_on(collector, "/v1/traces", (service_answer){ .body = "{}" });
    service_on(t.s, "/events", (service_answer){ .status = 204 });
    const pawl_sink_options sink = { .struct_size = sizeof sink, .name = "web", .type = "http", .url = service_url(t.s, "/events"), .types = "t.*" };
    t.f.options.sinks = &sink;
    t.f.options.sink_count = 1;
    t.f.options.trace_endpoint = service_url(collector, "");
    trouble_open(&t);
    deploy(&t.f, "two", "  - one: {emit: {event: {with: {source: 'http://e/s', type: t.one}}}}\n  - two: {emit: {event: {with: {source: 'http://e/s', type: t.two}}}}\n");
    char *id = start(&t.f, "two", NULL), sent[2][56];
    pawl_free(finish(&t.f, id));
    service_wait_requests(t.s, 2);
    for (unsigned i = 0; i < 2; i++)
        (void)snprintf(sent[i], sizeof sent[i], "%.55s", strstr(service_request_at(t.s, i)->head, "traceparent: ") + 13);
    trouble_done(&t);
    char *spans = spans_of(collector), wanted[160];
    EXPECT(spans != NULL);
    (void)snprintf(wanted, sizeof wanted, "[\"%s\",\"%s\"]", sent[0], sent[1]);
    EXPECT_ASK(spans, "map(select(.kind == 4 and (.attributes | any(.value.stringValue | strings | startswith(\"t.\"))))) | "
                      "map(\"00-\" + .traceId + \"-\" + .spanId + \"-01\")",
               wanted);
    free(spans);
    pawl_free(id);
    service_free(collector);
}

TEST(log_of_instances, a_host_gives_spans_of_its_own_around_what_it_starts)
{
    trouble t;
    char span[56], below[56];
    trouble_init(&t, NULL);
    service *collector = service_new();
    service_on(collector, "/v1/traces", (service_answer){ .body = "{}" });
    trouble_open(&t);
    EXPECT(!pawl_trace_begin(t.f.p, NULL, span)); /* there are no traces */
    trouble_done(&t);
    trouble_init(&t, NULL);
    t.f.options.trace_endpoint = service_url(collector, "");
    trouble_open(&t);
    EXPECT(pawl_trace_begin(t.f.p, NULL, span));
    EXPECT(pawl_trace_begin(t.f.p, span, below));
    EXPECT_INT(strlen(span), 55);
    EXPECT(memcmp(span, below, 36) == 0 && memcmp(span + 36, below + 36, 16) != 0);
    pawl_trace_end(t.f.p, below, span, "server", "GET getInstance", 1500, 0, "{\"http.response.status_code\":200}");
    pawl_trace_end(t.f.p, span, NULL, "client", "all of it", 2500, 1, NULL);
    pawl_trace_end(t.f.p, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", NULL, "client", "not sampled", 1, 0, NULL);
    pawl_trace_end(t.f.p, "nonsense", NULL, "client", "none", 1, 0, NULL);
    trouble_done(&t);
    char *spans = spans_of(collector);
    EXPECT(spans != NULL);
    EXPECT_ASK(spans, "map([.name, .kind, has(\"parentSpanId\"), .status.code // 0, (.endTimeUnixNano | tonumber) - (.startTimeUnixNano | tonumber)])",
               "[[\"GET getInstance\",2,true,0,1500000],[\"all of it\",3,false,2,2500000]]");
    free(spans);
    service_free(collector);
}

TEST_MAIN()
