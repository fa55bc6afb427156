/* Traces: ids, sampling, what is sent to a collector, and that nobody ever waits for it. The collector is a socket of the test's. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "test.h"
#include "base/json.h"
#include "watch/trace.h"

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

/* ------------------------------------------------------------------ ids */

static void hex(char *out, const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

TEST(trace, a_traceparent_is_read_or_it_is_none)
{
    static const char *const wrong[] = {
        "",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    };
    unsigned char trace[16], span[8];
    char text[33];
    bool sampled = false;
    EXPECT(pw_trace_read(trace, span, &sampled, pw_str_of(PARENT)));
    EXPECT(sampled);
    hex(text, trace, 16);
    EXPECT_TEXT(text, "4bf92f3577b34da6a3ce929d0e0e4736");
    hex(text, span, 8);
    EXPECT_TEXT(text, "00f067aa0ba902b7");
    EXPECT(pw_trace_read(trace, span, &sampled, PW_LIT("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")));
    EXPECT(!sampled);
    EXPECT(pw_trace_read(trace, span, &sampled, PW_LIT("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02")));
    EXPECT(!sampled); /* another flag */
    EXPECT(pw_trace_read(trace, span, &sampled, PW_LIT("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03")));
    EXPECT(sampled);
    for (size_t i = 0; i < PW_LENGTH(wrong); i++)
        EXPECT(!pw_trace_read(trace, span, &sampled, pw_str_of(wrong[i])));
}

TEST(trace, ids_are_made_of_what_they_are_about)
{
    unsigned char a[16], b[16], span[8], other[8];
    char text[33];
    pw_trace_id(a, PW_LIT("i1"), pw_str_of(PARENT));
    hex(text, a, 16);
    EXPECT_TEXT(text, "4bf92f3577b34da6a3ce929d0e0e4736");
    pw_trace_id(a, PW_LIT("i1"), PW_LIT(""));
    pw_trace_id(b, PW_LIT("i1"), PW_LIT("nonsense"));
    EXPECT(memcmp(a, b, 16) == 0);
    pw_trace_id(b, PW_LIT("i2"), PW_LIT(""));
    EXPECT(memcmp(a, b, 16) != 0);
    pw_trace_span_id(span, PW_LIT("i1"), "step", 1, 0);
    pw_trace_span_id(other, PW_LIT("i1"), "step", 1, 0);
    EXPECT(memcmp(span, other, 8) == 0);
    pw_trace_span_id(other, PW_LIT("i1"), "step", 2, 0);
    EXPECT(memcmp(span, other, 8) != 0);
    pw_trace_span_id(other, PW_LIT("i1"), "step", 1, 1);
    EXPECT(memcmp(span, other, 8) != 0);
}

/* ------------------------------------------------------------------ a collector */

typedef struct collector {
    int fd;
    char endpoint[64];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    const char *answer; /* of every request; NULL: none, it keeps the connection */
    char *heads, *bodies; /* of all requests */
    size_t requests;
    bool stop;
} collector;

static void append(char **text, const char *more, size_t len)
{
    const size_t before = *text ? strlen(*text) : 0;
    *text = realloc(*text, before + len + 2);
    memcpy(*text + before, more, len);
    memcpy(*text + before + len, "\n", 2);
}

static void serve_one(collector *c, int fd)
{
    static _Thread_local char text[1 << 20];
    size_t len = 0, body = 0, want = 0;
    while (!body || len < body + want) {
        const ssize_t n = recv(fd, text + len, sizeof text - 1 - len, 0);
        if (n <= 0)
            return;
        len += (size_t)n;
        text[len] = '\0';
        char *end = body ? NULL : strstr(text, "\r\n\r\n");
        if (end) {
            body = (size_t)(end - text) + 4;
            want = strtoul(strstr(text, "Content-Length: ") + 16, NULL, 10);
        }
    }
    (void)pthread_mutex_lock(&c->lock);
    append(&c->heads, text, body);
    append(&c->bodies, text + body, want);
    c->requests++;
    const char *answer = c->answer;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
    if (answer) {
        (void)!write(fd, answer, strlen(answer));
        return;
    }
    char rest;
    (void)!recv(fd, &rest, 1, 0); /* until the other side gives up */
}

static void *serve(void *context)
{
    collector *c = context;
    for (;;) {
        const int fd = accept(c->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        serve_one(c, fd);
        (void)close(fd);
    }
}

static void collector_start(collector *c, const char *answer)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;
    *c = (collector){ .answer = answer, .fd = socket(AF_INET, SOCK_STREAM, 0) };
    EXPECT_INT(bind(c->fd, (const struct sockaddr *)&at, sizeof at), 0);
    EXPECT_INT(listen(c->fd, 16), 0);
    EXPECT_INT(getsockname(c->fd, (struct sockaddr *)&at, &size), 0);
    (void)snprintf(c->endpoint, sizeof c->endpoint, "http://127.0.0.1:%u", ntohs(at.sin_port));
    EXPECT_INT(pthread_mutex_init(&c->lock, NULL), 0);
    EXPECT_INT(pthread_cond_init(&c->changed, NULL), 0);
    EXPECT_INT(pthread_create(&c->thread, NULL, serve, c), 0);
}

static void collector_wait(collector *c, size_t requests)
{
    (void)pthread_mutex_lock(&c->lock);
    while (c->requests < requests)
        (void)pthread_cond_wait(&c->changed, &c->lock);
    (void)pthread_mutex_unlock(&c->lock);
}

static void collector_answers(collector *c, const char *answer)
{
    (void)pthread_mutex_lock(&c->lock);
    c->answer = answer;
    (void)pthread_mutex_unlock(&c->lock);
}

static void collector_stop(collector *c)
{
    (void)shutdown(c->fd, SHUT_RDWR);
    EXPECT_INT(pthread_join(c->thread, NULL), 0);
    (void)close(c->fd);
    (void)pthread_cond_destroy(&c->changed);
    (void)pthread_mutex_destroy(&c->lock);
    free(c->heads);
    free(c->bodies);
}

#define ANSWER(status, body) "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" body

static pw_tracer *start(const collector *c, pw_tracer_options options)
{
    pw_tracer *tracer = NULL;
    pawl_error err;
    options.endpoint = c->endpoint;
    EXPECT_OK(pw_tracer_new(&tracer, &options, &err), err);
    EXPECT(tracer != NULL);
    return tracer;
}

static void give(pw_tracer *tracer, const char *name)
{
    const pw_log_field fields[] = { PW_LOG_S("pawl.instance", PW_LIT("i1")), PW_LOG_N("pawl.sequence", 7),
                                    { "share", PW_LOG_REAL, { "", 0 }, 0, 0.5 }, { "again", PW_LOG_BOOL, { "", 0 }, 1, 0 } };
    pw_span span = { .kind = "client", .name = pw_str_of(name), .begin_us = 1795450863123456, .end_us = 1795450863223456,
                     .fields = fields, .field_count = PW_LENGTH(fields) };
    bool sampled;
    EXPECT(pw_trace_read(span.trace, span.parent, &sampled, pw_str_of(PARENT)));
    memcpy(span.id, "\1\2\3\4\5\6\7\x08", 8);
    pw_trace_span(tracer, &span);
}

static pw_tracer_counts counts_of(const pw_tracer *tracer)
{
    pw_tracer_counts counts;
    pw_tracer_count(tracer, &counts);
    return counts;
}

/* ------------------------------------------------------------------ sampling */

TEST(trace, the_traceparent_that_came_in_decides_and_else_the_trace_id)
{
    collector c;
    collector_start(&c, ANSWER("200 OK", "{}"));
    pw_tracer *all = start(&c, (pw_tracer_options){ .ratio = 1 }), *none = start(&c, (pw_tracer_options){ .ratio = -1 });
    pw_tracer *half = start(&c, (pw_tracer_options){ .ratio = 0.5 });
    const pw_str unsampled = PW_LIT("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
    EXPECT(pw_trace_sampled(all, PW_LIT("i1"), PW_LIT("")) && !pw_trace_sampled(none, PW_LIT("i1"), PW_LIT("")));
    EXPECT(!pw_trace_sampled(all, PW_LIT("i1"), unsampled) && pw_trace_sampled(none, PW_LIT("i1"), pw_str_of(PARENT)));
    EXPECT(!pw_trace_sampled(NULL, PW_LIT("i1"), pw_str_of(PARENT)));
    int sampled = 0;
    for (int i = 0; i < 1000; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "instance%d", i);
        const bool is = pw_trace_sampled(half, pw_str_of(id), PW_LIT(""));
        EXPECT(is == pw_trace_sampled(half, pw_str_of(id), PW_LIT("")));
        sampled += is;
    }
    EXPECT_INT(sampled, 473); /* of these ids, for ever */
    pw_tracer_free(all);
    pw_tracer_free(none);
    pw_tracer_free(half);
    collector_stop(&c);
}

/* ------------------------------------------------------------------ sending */

TEST(trace, spans_are_sent_as_OTLP_says)
{
    collector c;
    collector_start(&c, ANSWER("200 OK", "{}"));
    pw_tracer *tracer = start(&c, (pw_tracer_options){ .ratio = 1, .headers = "x-key=a b,x-team=t", .interval_ms = 1 });
    give(tracer, "GET \"it\"");
    collector_wait(&c, 1);
    pw_tracer_free(tracer);
    EXPECT(strncmp(c.heads, "POST /v1/traces HTTP/1.1\r\n", 26) == 0);
    EXPECT_CONTAINS(c.heads, "\r\nContent-Type: application/json\r\n");
    EXPECT_CONTAINS(c.heads, "\r\nx-key: a b\r\nx-team: t\r\n");
    EXPECT_TEXT(c.bodies, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"pawl\"}},"
                          "{\"key\":\"service.version\",\"value\":{\"stringValue\":\"" PAWL_VERSION "\"}}]},"
                          "\"scopeSpans\":[{\"scope\":{\"name\":\"pawl\",\"version\":\"" PAWL_VERSION "\"},\"spans\":["
                          "{\"traceId\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"spanId\":\"0102030405060708\",\"parentSpanId\":\"00f067aa0ba902b7\","
                          "\"name\":\"GET \\\"it\\\"\",\"kind\":3,\"startTimeUnixNano\":\"1795450863123456000\","
                          "\"endTimeUnixNano\":\"1795450863223456000\",\"attributes\":["
                          "{\"key\":\"pawl.instance\",\"value\":{\"stringValue\":\"i1\"}},{\"key\":\"pawl.sequence\",\"value\":{\"intValue\":\"7\"}},"
                          "{\"key\":\"share\",\"value\":{\"doubleValue\":0.5}},{\"key\":\"again\",\"value\":{\"boolValue\":true}}],"
                          "\"status\":{}}]}]}]}\n");
    collector_stop(&c);
}

TEST(trace, an_address_may_have_the_path_or_not)
{
    static const char *const ends[] = { "/v1/traces", "/v1/traces/", "/", "/otlp" };
    static const char *const paths[] = { "POST /v1/traces HTTP", "POST /v1/traces HTTP", "POST /v1/traces HTTP", "POST /otlp/v1/traces HTTP" };
    for (size_t i = 0; i < PW_LENGTH(ends); i++) {
        collector c;
        collector_start(&c, ANSWER("200 OK", "{}"));
        (void)snprintf(c.endpoint + strlen(c.endpoint), sizeof c.endpoint - strlen(c.endpoint), "%s", ends[i]);
        pw_tracer *tracer = start(&c, (pw_tracer_options){ .ratio = 1, .interval_ms = 1 });
        give(tracer, "one");
        collector_wait(&c, 1);
        pw_tracer_free(tracer);
        EXPECT_CONTAINS(c.heads, paths[i]);
        collector_stop(&c);
    }
}

TEST(trace, a_span_without_a_parent_that_failed_on_a_clock_that_was_put_back)
{
    collector c;
    collector_start(&c, ANSWER("200 OK", "{}"));
    pw_tracer *tracer = start(&c, (pw_tracer_options){ .ratio = 1, .interval_ms = 1 });
    const pw_span span = { .trace = { 1 }, .id = { 2 }, .kind = "internal", .name = PW_LIT("root"), .begin_us = 1795450863123456,
                           .end_us = 1795450863000000, .failed = true, .message = PW_LIT("no") };
    pw_trace_span(tracer, &span);
    collector_wait(&c, 1);
    pw_tracer_free(tracer);
    EXPECT_CONTAINS(c.bodies, "\"spans\":[{\"traceId\":\"01000000000000000000000000000000\",\"spanId\":\"0200000000000000\",\"name\":\"root\","
                              "\"kind\":1,\"startTimeUnixNano\":\"1795450863123456000\",\"endTimeUnixNano\":\"1795450863123456000\","
                              "\"attributes\":[],\"status\":{\"code\":2,\"message\":\"no\"}}]");
    collector_stop(&c);
}

TEST(trace, what_is_left_is_sent_at_the_end_in_batches)
{
    collector c;
    collector_start(&c, ANSWER("200 OK", "{}"));
    pw_tracer *tracer = start(&c, (pw_tracer_options){ .ratio = 1, .interval_ms = 600000 });
    for (int i = 0; i < 5; i++)
        give(tracer, "late");
    EXPECT_INT(counts_of(tracer).sent, 0);
    pw_tracer_free(tracer);
    EXPECT_INT(c.requests, 1);
    EXPECT_CONTAINS(c.bodies, "\"name\":\"late\"");
    collector_stop(&c);
}

TEST(trace, a_collector_that_is_busy_is_asked_again_with_the_same)
{
    static const char *const busy[] = { ANSWER("429 Too Many Requests", ""), ANSWER("502 Bad Gateway", ""),
                                        ANSWER("503 Service Unavailable", ""), ANSWER("504 Gateway Timeout", "") };
    collector c[PW_LENGTH(busy)];
    pw_tracer *tracers[PW_LENGTH(busy)];
    for (size_t i = 0; i < PW_LENGTH(busy); i++) {
        collector_start(&c[i], busy[i]);
        tracers[i] = start(&c[i], (pw_tracer_options){ .ratio = 1, .interval_ms = 1 });
        give(tracers[i], "again");
        collector_wait(&c[i], 1);
        collector_answers(&c[i], ANSWER("200 OK", "{}"));
    }
    for (size_t i = 0; i < PW_LENGTH(busy); i++) {
        collector_wait(&c[i], 2);
        pw_tracer_free(tracers[i]);
        char *second = strchr(c[i].bodies, '\n') + 1;
        *strchr(c[i].bodies, '\n') = '\0';
        *strchr(second, '\n') = '\0';
        EXPECT_TEXT(second, c[i].bodies);
        collector_stop(&c[i]);
    }
}

static void expect_counts(pw_tracer *tracer, collector *c, uint64_t sent, uint64_t dropped, uint64_t failures)
{
    give(tracer, "one");
    give(tracer, "two");
    collector_wait(c, 1);
    pw_tracer_counts counts;
    do /* the answer is on its way */
        counts = counts_of(tracer);
    while (counts.sent + counts.dropped < 2);
    EXPECT_INT(counts.sent, sent);
    EXPECT_INT(counts.dropped, dropped);
    EXPECT_INT(counts.failures, failures);
    pw_tracer_free(tracer);
    collector_stop(c);
}

TEST(trace, what_a_collector_refuses_is_dropped_and_counted)
{
    collector c;
    collector_start(&c, ANSWER("400 Bad Request", "{\"code\":3}"));
    expect_counts(start(&c, (pw_tracer_options){ .ratio = 1, .interval_ms = 600000, .queue = 2 }), &c, 0, 2, 1);
}

TEST(trace, what_a_collector_takes_only_in_part_is_counted)
{
    collector c;
    collector_start(&c, ANSWER("200 OK", "{\"partialSuccess\":{\"rejectedSpans\":\"1\",\"errorMessage\":\"x\"}}"));
    expect_counts(start(&c, (pw_tracer_options){ .ratio = 1, .interval_ms = 600000, .queue = 2 }), &c, 1, 1, 0);
}

TEST(trace, nobody_waits_for_a_collector_that_does_not_answer)
{
    collector c;
    collector_start(&c, NULL);
    pw_tracer *tracer = start(&c, (pw_tracer_options){ .ratio = 1, .interval_ms = 1, .queue = 10 });
    give(tracer, "first");
    collector_wait(&c, 1); /* and is silent from here on */
    for (int i = 0; i < 100; i++)
        give(tracer, "more");
    EXPECT_INT(counts_of(tracer).dropped, 90);
    EXPECT_INT(counts_of(tracer).sent, 0);
    pw_tracer_free(tracer); /* it has two seconds */
    collector_stop(&c);
}

TEST(trace, a_collector_that_is_not_there_costs_spans_and_no_more)
{
    collector c;
    collector_start(&c, NULL);
    pw_tracer *tracer = start(&c, (pw_tracer_options){ .ratio = 1, .interval_ms = 1, .queue = 10 });
    collector_stop(&c);
    give(tracer, "first");
    while (counts_of(tracer).failures == 0)
        (void)usleep(1000);
    for (int i = 0; i < 100; i++)
        give(tracer, "more");
    EXPECT(counts_of(tracer).dropped >= 80); /* ten are in the queue, and ten may be with the thread */
    pw_tracer_free(tracer);
}

TEST(trace, there_is_none_without_an_address_and_a_wrong_one_is_refused)
{
    pw_tracer *tracer = NULL;
    pawl_error err;
    EXPECT_OK(pw_tracer_new(&tracer, &(pw_tracer_options){ .endpoint = "" }, &err), err);
    EXPECT(tracer == NULL);
    pw_trace_span(NULL, &(pw_span){ .kind = "client" });
    pw_tracer_free(NULL);
    EXPECT_INT(counts_of(NULL).sent, 0);
    EXPECT_INT(pw_tracer_new(&tracer, &(pw_tracer_options){ .endpoint = "127.0.0.1:4318" }, &err), PAWL_INVALID);
    EXPECT_TEXT(err.message, "the collector of traces is an address like http://127.0.0.1:4318");
    EXPECT_INT(pw_tracer_new(&tracer, &(pw_tracer_options){ .endpoint = "http://h", .headers = "a" }, &err), PAWL_INVALID);
    EXPECT_TEXT(err.message, "headers of traces are name=value, with commas between them");
    EXPECT_INT(pw_tracer_new(&tracer, &(pw_tracer_options){ .endpoint = "http://h", .headers = "a=b\r\nc: d" }, &err), PAWL_INVALID);
    EXPECT_TEXT(err.message, "a header of traces has a character that no header has");
}

TEST(trace, without_memory_there_is_none_and_a_span_is_dropped)
{
    pw_tracer *tracer = NULL;
    pawl_error err;
    for (uint64_t n = 1; n <= 4; n++) {
        pw_alloc_fail_after(n);
        EXPECT_INT(pw_tracer_new(&tracer, &(pw_tracer_options){ .endpoint = "http://127.0.0.1:1", .ratio = 1 }, &err), PAWL_NO_MEMORY);
        pw_alloc_fail_after(0);
        EXPECT(tracer == NULL);
    }
    EXPECT_OK(pw_tracer_new(&tracer, &(pw_tracer_options){ .endpoint = "http://127.0.0.1:1", .ratio = 1, .interval_ms = 600000 }, &err), err);
    pw_alloc_fail_after(1);
    give(tracer, "lost");
    pw_alloc_fail_after(0);
    EXPECT_INT(counts_of(tracer).dropped, 1);
    pw_tracer_free(tracer);
}

TEST_MAIN()
