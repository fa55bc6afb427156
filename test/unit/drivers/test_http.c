/* The HTTP driver against a real service on loopback: answers, requests, failures, many at once, the end. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "http_fixture.h"

/* ------------------------------------------------------------------ answers */

TEST(http, an_answer_has_status_headers_in_lower_case_and_body)
{
    fixture *f = open_all();
    service_on(f->service, "/reserve",
               (service_answer){ .status = 201,
                                 .headers = "Content-Type: application/json\r\nX-Trace:   a b \r\n",
                                 .body = "{\"reserved\":true}" });
    const pw_call_result *result = send_one(f, to(f, "GET", "/reserve?order=7"));
    EXPECT(result->answered);
    EXPECT(!result->timed_out);
    EXPECT_INT(result->status, 201);
    EXPECT_STR(result->body, "{\"reserved\":true}");
    EXPECT_STR(result->error, "");
    EXPECT_INT(result->header_count, 3);
    EXPECT_TEXT(header(result, "content-type"), "application/json");
    EXPECT_TEXT(header(result, "x-trace"), "a b");
    EXPECT_TEXT(header(result, "content-length"), "17");
    EXPECT_TEXT(service_request_at(f->service, 0)->path, "/reserve?order=7");
    EXPECT_INT(f->done[0]->cancelled, false);
    close_all(f);
}

TEST(http, every_status_is_an_answer)
{
    static const int statuses[] = { 200, 204, 302, 304, 400, 401, 404, 409, 429, 500, 503, 599 };
    fixture *f = open_all();
    for (size_t i = 0; i < PW_LENGTH(statuses); i++)
        service_on(f->service, "/",
                   (service_answer){ .status = statuses[i], .body = "x", .times = 1 });
    for (size_t i = 0; i < PW_LENGTH(statuses); i++) {
        const pw_call_result *result = send_one(f, to(f, "GET", "/"));
        EXPECT(result->answered);
        EXPECT_INT(result->status, statuses[i]);
        EXPECT_STR(result->body, statuses[i] == 204 || statuses[i] == 304 ? "" : "x");
    }
    close_all(f);
}

TEST(http, a_binary_body_goes_both_ways_unchanged)
{
    char bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    fixture *f = open_all();
    service_on(f->service, "/", (service_answer){ .body = bytes, .body_len = sizeof bytes });
    pw_http_call *call = to(f, "POST", "/");
    call->request.body = (pw_str){ bytes, sizeof bytes };
    const pw_call_result *result = send_one(f, call);
    EXPECT_INT(result->body.len, 256);
    EXPECT(memcmp(result->body.ptr, bytes, sizeof bytes) == 0);
    const service_request *request = service_request_at(f->service, 0);
    EXPECT_INT(request->body_len, 256);
    EXPECT(memcmp(request->body, bytes, sizeof bytes) == 0);
    close_all(f);
}

TEST(http, chunked_and_unmeasured_bodies_arrive_whole)
{
    fixture *f = open_all();
    service_on(f->service, "/chunked",
               (service_answer){ .manner = SERVICE_CHUNKED, .body = "one two three four five" });
    service_on(f->service, "/open",
               (service_answer){ .manner = SERVICE_UNTIL_CLOSE, .body = "until the end" });
    EXPECT_STR(send_one(f, to(f, "GET", "/chunked"))->body, "one two three four five");
    EXPECT_STR(send_one(f, to(f, "GET", "/open"))->body, "until the end");
    close_all(f);
}

TEST(http, a_compressed_body_comes_decompressed)
{
    /* printf hello | gzip -n */
    static const char gzip[] =
        "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6"
        "\x10\x36\x05\x00\x00\x00";
    fixture *f = open_all();
    service_on(f->service, "/",
               (service_answer){ .headers = "Content-Encoding: gzip\r\n",
                                 .body = gzip,
                                 .body_len = sizeof gzip - 1 });
    EXPECT_STR(send_one(f, to(f, "GET", "/"))->body, "hello");
    EXPECT_CONTAINS(
        service_header(f->service, service_request_at(f->service, 0), "accept-encoding"), "gzip");
    close_all(f);
}

TEST(http, header_values_that_are_not_utf8_are_read_as_latin_1)
{
    fixture *f = open_all();
    service_on(f->service, "/",
               (service_answer){ .headers = "X-Name: Andr\xe9\r\nX-Utf: Andr\xc3\xa9\r\n" });
    const pw_call_result *result = send_one(f, to(f, "GET", "/"));
    EXPECT_TEXT(header(result, "x-name"), "Andr\xc3\xa9");
    EXPECT_TEXT(header(result, "x-utf"), "Andr\xc3\xa9");
    close_all(f);
}

TEST(http, headers_of_the_same_name_are_kept_in_order)
{
    fixture *f = open_all();
    service_on(f->service, "/",
               (service_answer){ .headers = "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n" });
    const pw_call_result *result = send_one(f, to(f, "GET", "/"));
    EXPECT_STR(result->headers[0].name, "set-cookie");
    EXPECT_STR(result->headers[0].value, "a=1");
    EXPECT_STR(result->headers[1].value, "b=2");
    close_all(f);
}

/* ------------------------------------------------------------------ requests */

TEST(http, the_idempotency_key_and_the_headers_are_sent)
{
    fixture *f = open_all();
    service_on(f->service, "/charge", (service_answer){ .status = 200 });
    pw_http_call *call = to(f, "post", "/charge");
    call->key = PW_LIT("0123456789abcdef");
    call->request.body = PW_LIT("{\"amount\":5}");
    add_header(call, PW_LIT("Content-Type"), PW_LIT("application/json"));
    add_header(call, PW_LIT("X-Empty"), PW_LIT(""));
    add_header(call, PW_LIT("Content-Length"), PW_LIT("3"));
    EXPECT_INT(send_one(f, call)->status, 200);
    const service_request *request = service_request_at(f->service, 0);
    EXPECT_TEXT(request->method, "POST");
    EXPECT_TEXT(request->body, "{\"amount\":5}");
    EXPECT_TEXT(service_header(f->service, request, "Idempotency-Key"), "0123456789abcdef");
    EXPECT_TEXT(service_header(f->service, request, "Content-Type"), "application/json");
    EXPECT_TEXT(service_header(f->service, request, "X-Empty"), "");
    EXPECT_TEXT(service_header(f->service, request, "User-Agent"), "pawl/" PAWL_VERSION);
    EXPECT_INT(service_header_count(request, "Content-Length"), 1);
    EXPECT_TEXT(service_header(f->service, request, "Content-Length"), "12");
    EXPECT(service_header(f->service, request, "Expect") == NULL);
    close_all(f);
}

TEST(http, a_key_named_by_the_request_is_the_only_one)
{
    fixture *f = open_all();
    pw_http_call *call = to(f, "POST", "/");
    call->key = PW_LIT("ours");
    add_header(call, PW_LIT("idempotency-key"), PW_LIT("theirs"));
    EXPECT_INT(send_one(f, call)->status, 404);
    EXPECT_INT(service_header_count(service_request_at(f->service, 0), "idempotency-key"), 1);
    EXPECT_TEXT(service_header(f->service, service_request_at(f->service, 0), "idempotency-key"),
                "theirs");
    close_all(f);
}

static const char trace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(http, correlation_and_trace_are_sent)
{
    fixture *f = open_all();
    pw_http_call *call = to(f, "POST", "/");
    call->correlation = PW_LIT("order-7");
    call->trace = pw_str_of(trace);
    EXPECT_INT(send_one(f, call)->status, 404);
    const service_request *request = service_request_at(f->service, 0);
    EXPECT_TEXT(service_header(f->service, request, "X-Correlation-ID"), "order-7");
    EXPECT_TEXT(service_header(f->service, request, "traceparent"), trace);
    close_all(f);
}

TEST(http, correlation_and_trace_of_the_request_itself_go_before)
{
    fixture *f = open_all();
    pw_http_call *call = to(f, "POST", "/");
    call->correlation = PW_LIT("ours");
    call->trace = pw_str_of(trace);
    add_header(call, PW_LIT("x-correlation-id"), PW_LIT("theirs"));
    add_header(call, PW_LIT("Traceparent"), PW_LIT("their trace"));
    EXPECT_INT(send_one(f, call)->status, 404);
    const service_request *request = service_request_at(f->service, 0);
    EXPECT_INT(service_header_count(request, "X-Correlation-ID"), 1);
    EXPECT_TEXT(service_header(f->service, request, "X-Correlation-ID"), "theirs");
    EXPECT_INT(service_header_count(request, "traceparent"), 1);
    EXPECT_TEXT(service_header(f->service, request, "traceparent"), "their trace");
    close_all(f);
}

TEST(http, a_correlation_that_no_header_can_carry_is_left_out)
{
    fixture *f = open_all();
    pw_http_call *call = to(f, "POST", "/");
    call->correlation = PW_LIT("two\r\nX-Lines: 1");
    EXPECT_INT(send_one(f, call)->status, 404);
    const service_request *request = service_request_at(f->service, 0);
    EXPECT(service_header(f->service, request, "X-Correlation-ID") == NULL);
    EXPECT(service_header(f->service, request, "X-Lines") == NULL);
    EXPECT(service_header(f->service, request, "traceparent") == NULL);
    close_all(f);
}

TEST(http, methods_send_what_they_should)
{
    static const struct {
        const char *method, *body, *sent_length, *answered;
    } cases[] = {
        { "GET", "", NULL, "yes" },     { "HEAD", "", NULL, "" },
        { "DELETE", "", NULL, "yes" },  { "POST", "", "0", "yes" },
        { "PUT", "", "0", "yes" },      { "PATCH", "x=1", "3", "yes" },
        { "PUT", "x=1", "3", "yes" },   { "DELETE", "x=1", "3", "yes" },
        { "OPTIONS", "", NULL, "yes" }, { "GET", "x=1", "3", "yes" },
        { "PURGE", "", NULL, "yes" },
    };
    fixture *f = open_all();
    service_on(f->service, "/", (service_answer){ .body = "yes" });
    for (unsigned i = 0; i < PW_LENGTH(cases); i++) {
        pw_http_call *call = to(f, cases[i].method, "/");
        call->request.body = pw_str_of(cases[i].body);
        const pw_call_result *result = send_one(f, call);
        EXPECT_INT(result->status, 200);
        EXPECT_STR(result->body, cases[i].answered);
        const service_request *request = service_request_at(f->service, i);
        EXPECT_TEXT(request->method, cases[i].method);
        EXPECT_TEXT(request->body, cases[i].body);
        const char *length = service_header(f->service, request, "Content-Length");
        EXPECT((length == NULL) == (cases[i].sent_length == NULL));
        if (length)
            EXPECT_TEXT(length, cases[i].sent_length);
        EXPECT(service_header(f->service, request, "Content-Type") == NULL);
    }
    close_all(f);
}

TEST(http, a_large_body_is_sent_without_expect)
{
    fixture *f = open_all();
    service_on(f->service, "/", (service_answer){ .body = "got it" });
    pw_http_call *call = to(f, "PUT", "/");
    size_t len = (size_t)2 << 20;
    char *body = pw_arena_alloc(&call->arena, len);
    memset(body, 'b', len);
    call->request.body = (pw_str){ body, len };
    EXPECT_STR(send_one(f, call)->body, "got it");
    EXPECT_INT(service_request_at(f->service, 0)->body_len, len);
    EXPECT(service_header(f->service, service_request_at(f->service, 0), "Expect") == NULL);
    close_all(f);
}

TEST(http, what_could_inject_a_header_is_refused_before_anything_is_sent)
{
    static const struct {
        const char *name, *value, *error;
    } cases[] = {
        { "X-A", "1\r\nX-B: 2",
          "header 'X-A': its value holds a line break or a control character" },
        { "X-A", "1\nX-B: 2", "header 'X-A': its value holds a line break or a control character" },
        { "X-A\r\nX-B", "1", "header 1: its name is no header name" },
        { "X A", "1", "header 1: its name is no header name" },
        { "X-A:", "1", "header 1: its name is no header name" },
        { "", "1", "header 1: its name is no header name" },
    };
    fixture *f = open_all();
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pw_http_call *call = to(f, "GET", "/");
        add_header(call, pw_str_of(cases[i].name), pw_str_of(cases[i].value));
        const pw_call_result *result = send_one(f, call);
        EXPECT(!result->answered);
        EXPECT_STR(result->error, cases[i].error);
    }
    pw_http_call *nul = to(f, "GET", "/");
    add_header(nul, PW_LIT("X-A"), PW_LIT("1\0002"));
    EXPECT_STR(send_one(f, nul)->error,
               "header 'X-A': its value holds a line break or a control character");
    pw_http_call *key = to(f, "GET", "/");
    key->key = PW_LIT("k\r\nX-B: 2");
    EXPECT_STR(send_one(f, key)->error,
               "the idempotency key holds a line break or a control character");
    EXPECT_STR(send_one(f, to(f, "GET / HTTP/1.1\r\nX-B: 2\r\n\r\nGET", "/"))->error,
               "the method is no HTTP method: it must be 1 to 64 letters");
    EXPECT_STR(send_one(f, to(f, "GET", "/ HTTP/1.1\r\nX-B: 2"))->error,
               "the URI holds a space or a control character: write it percent-encoded");
    EXPECT_INT(service_requests(f->service), 0);
    close_all(f);
}

TEST(http, only_absolute_http_uris_are_called)
{
    static const struct {
        const char *uri, *error;
    } cases[] = {
        { "ftp://127.0.0.1/x", "'ftp://127.0.0.1/x' is neither http nor https" },
        { "file:///etc/hostname", "'file:///etc/hostname' is neither http nor https" },
        { "/reserve", "'/reserve' is no absolute http or https URI" },
        { "example.com/x", "'example.com/x' is no absolute http or https URI" },
        { "http://", "'http://' is no absolute http or https URI" },
        { "", "'' is no absolute http or https URI" },
    };
    fixture *f = open_all();
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        const pw_call_result *result = send_one(f, new_call(1, "GET", cases[i].uri));
        EXPECT(!result->answered);
        EXPECT_CONTAINS(error_text(result), cases[i].error);
    }
    close_all(f);
}

/* ------------------------------------------------------------------ failures */

TEST(http, a_refused_connection_names_the_host)
{
    fixture *f = open_all();
    int port = service_dead_port();
    const pw_call_result *result =
        send_one(f, new_call(1, "GET", with_port("http://127.0.0.1:%d/", port)));
    EXPECT(!result->answered);
    EXPECT(!result->timed_out);
    EXPECT_STR(result->error, with_port("connection refused by 127.0.0.1:%d", port));
    close_all(f);
}

TEST(http, a_service_that_does_not_answer_in_time_is_timed_out)
{
    fixture *f = open_all();
    service_on(f->service, "/never", (service_answer){ .hold = true });
    service_on(f->service, "/half",
               (service_answer){ .manner = SERVICE_STALL, .body = "half and half" });
    static const char *const paths[] = { "/never", "/half" };
    for (size_t i = 0; i < PW_LENGTH(paths); i++) {
        pw_http_call *call = to(f, "GET", paths[i]);
        call->timeout_ms = 100;
        const pw_call_result *result = send_one(f, call);
        EXPECT(!result->answered);
        EXPECT(result->timed_out);
        EXPECT_INT(result->status, 0);
        EXPECT_INT(result->header_count, 0);
        EXPECT(result->duration_ms >= 90);
        EXPECT_STR(result->error, with_port("no complete answer from 127.0.0.1:%d within 100 ms",
                                            service_port(f->service)));
    }
    close_all(f);
}

TEST(http, the_drivers_timeout_holds_for_calls_without_their_own)
{
    fixture *f = open_with((pw_http_options){ .timeout_ms = 50 });
    service_on(f->service, "/never", (service_answer){ .hold = true });
    EXPECT(send_one(f, to(f, "GET", "/never"))->timed_out);
    close_all(f);
}

TEST(http, broken_answers_are_failures_that_say_what_happened)
{
    static const struct {
        service_answer answer;
        const char *error; /* behind the host */
    } cases[] = {
        { { .manner = SERVICE_CLOSE }, "127.0.0.1:%d closed the connection without an answer" },
        { { .manner = SERVICE_CLOSE_MIDWAY, .body = "12345678" },
          "127.0.0.1:%d closed the connection in the middle of its answer" },
        { { .manner = SERVICE_GARBAGE, .body = "\x16\x03\x01 this is not HTTP\r\n\r\n" },
          "127.0.0.1:%d answered with something that is not HTTP" },
        { { .manner = SERVICE_GARBAGE, .body = "HTTP/1.1 abc\r\n\r\n" }, "127.0.0.1:%d " },
        { { .manner = SERVICE_GARBAGE, .body = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-Cut" },
          "127.0.0.1:%d" },
        { { .headers = "Content-Encoding: gzip\r\n", .body = "this is no gzip" },
          "call of 127.0.0.1:%d failed: " },
    };
    fixture *f = open_all();
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        char path[16];
        (void)snprintf(path, sizeof path, "/%zu", i);
        service_on(f->service, path, cases[i].answer);
        const pw_call_result *result = send_one(f, to(f, "POST", path));
        EXPECT(!result->answered);
        EXPECT(!result->timed_out);
        EXPECT_INT(result->status, 0);
        EXPECT_CONTAINS(error_text(result), with_port(cases[i].error, service_port(f->service)));
    }
    close_all(f);
}

TEST(http, a_failure_has_a_class_and_says_whether_anything_was_sent)
{
    static const struct {
        const char *uri; /* NULL: the service, as `answer` says */
        service_answer answer;
        pw_error_class class_;
        bool unsent;
    } cases[] = {
        { "http://127.0.0.1:%d/dead", { 0 }, PW_CLASS_CONNECTION, true },
        { "http://nobody.invalid/%d", { 0 }, PW_CLASS_CONNECTION, true },
        { "http://10.0.0.1:%d/", { 0 }, PW_CLASS_FORBIDDEN, true },
        { "ftp://127.0.0.1:%d/", { 0 }, PW_CLASS_ARGUMENT, true },
        { "http://%d", { 0 }, PW_CLASS_FORBIDDEN, true }, /* a number is an address: 0.0.x.y */
        { NULL, { .manner = SERVICE_CLOSE }, PW_CLASS_CONNECTION, false },
        { NULL, { .manner = SERVICE_CLOSE_MIDWAY, .body = "12345678" }, PW_CLASS_CONNECTION, false },
        { NULL, { .manner = SERVICE_RESET_MIDWAY, .body = "12345678" }, PW_CLASS_CONNECTION, false },
        { NULL, { .manner = SERVICE_GARBAGE, .body = "\x16\x03\x01 no HTTP\r\n\r\n" }, PW_CLASS_MALFORMED, false },
        { NULL, { .headers = "Content-Encoding: gzip\r\n", .body = "no gzip" }, PW_CLASS_MALFORMED, false },
        { NULL, { .manner = SERVICE_ENDLESS_BODY }, PW_CLASS_MALFORMED, false },
        { NULL, { .manner = SERVICE_ENDLESS_HEADERS }, PW_CLASS_MALFORMED, false },
        { NULL, { .hold = true }, PW_CLASS_TIMEOUT, false },
        { NULL, { .manner = SERVICE_STALL, .body = "12345678" }, PW_CLASS_TIMEOUT, false },
    };
    fixture *f = open_with((pw_http_options){ .response_max = 1000 });
    int dead = service_dead_port();
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        char path[16];
        (void)snprintf(path, sizeof path, "/%zu", i);
        if (!cases[i].uri)
            service_on(f->service, path, cases[i].answer);
        pw_http_call *call = cases[i].uri ? new_call(1, "POST", with_port(cases[i].uri, dead)) : to(f, "POST", path);
        if (cases[i].class_ == PW_CLASS_TIMEOUT)
            call->timeout_ms = 1000; /* it is sent within it */
        const pw_call_result *result = send_one(f, call);
        EXPECT(!result->answered);
        EXPECT_INT(result->timed_out, cases[i].class_ == PW_CLASS_TIMEOUT);
        if (result->class_ != cases[i].class_ || result->unsent != cases[i].unsent)
            fail_msg("case %zu: %s, %s: %s", i, pw_error_class_name(result->class_), result->unsent ? "unsent" : "sent", error_text(result));
    }
    close_all(f);
}

/* A listener that never accepts: once its queue is full, nothing answers a connection. */
TEST(http, a_connection_that_is_not_made_in_time_was_not_sent)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    EXPECT(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 0) == 0);
    EXPECT_INT(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    int fillers[8];
    for (size_t i = 0; i < PW_LENGTH(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, size);
    }
    fixture *f = open_with((pw_http_options){ .connect_timeout_ms = 100 });
    const pw_call_result *result = send_one(f, new_call(1, "GET", with_port("http://127.0.0.1:%d/", ntohs(address.sin_port))));
    EXPECT_INT(result->class_, PW_CLASS_TIMEOUT);
    EXPECT(result->timed_out);
    EXPECT(result->unsent);
    EXPECT_STR(result->error, with_port("no connection to 127.0.0.1:%d within 100 ms", ntohs(address.sin_port)));
    for (size_t i = 0; i < PW_LENGTH(fillers); i++)
        (void)close(fillers[i]);
    (void)close(fd);
    close_all(f);
}

TEST(http, a_reset_in_the_middle_is_a_failure)
{
    fixture *f = open_all();
    service_on(f->service, "/",
               (service_answer){ .manner = SERVICE_RESET_MIDWAY, .body = "12345678" });
    const pw_call_result *result = send_one(f, to(f, "GET", "/"));
    EXPECT(!result->answered);
    EXPECT_CONTAINS(error_text(result),
                    with_port("the connection to 127.0.0.1:%d broke: ", service_port(f->service)));
    close_all(f);
}

TEST(http, an_endless_answer_ends_at_the_limit)
{
    fixture *f = open_with((pw_http_options){ .response_max = 100000 });
    service_on(f->service, "/body", (service_answer){ .manner = SERVICE_ENDLESS_BODY });
    service_on(f->service, "/headers", (service_answer){ .manner = SERVICE_ENDLESS_HEADERS });
    const pw_call_result *body = send_one(f, to(f, "GET", "/body"));
    EXPECT(!body->answered);
    EXPECT_STR(body->error, with_port("the answer of 127.0.0.1:%d is longer than 100000 bytes",
                                      service_port(f->service)));
    const pw_call_result *headers = send_one(f, to(f, "GET", "/headers"));
    EXPECT(!headers->answered);
    EXPECT_STR(headers->error,
               with_port("the headers of 127.0.0.1:%d's answer are longer than 262144 bytes",
                         service_port(f->service)));
    EXPECT(!headers->timed_out);
    close_all(f);
}

TEST(http, a_body_at_the_limit_is_taken_and_one_byte_more_is_not)
{
    fixture *f = open_with((pw_http_options){ .response_max = 8 });
    service_on(f->service, "/8", (service_answer){ .body = "12345678" });
    service_on(f->service, "/9", (service_answer){ .body = "123456789" });
    EXPECT_STR(send_one(f, to(f, "GET", "/8"))->body, "12345678");
    EXPECT(!send_one(f, to(f, "GET", "/9"))->answered);
    close_all(f);
}

/* ------------------------------------------------------------------ many at once */

TEST(http, calls_one_after_the_other_use_one_connection)
{
    fixture *f = open_all();
    service_on(f->service, "/", (service_answer){ .body = "ok" });
    for (int i = 0; i < 50; i++)
        EXPECT_INT(send_one(f, to(f, "POST", "/"))->status, 200);
    EXPECT_INT(service_requests(f->service), 50);
    EXPECT_INT(service_connections(f->service), 1);
    close_all(f);
}

TEST(http, two_hundred_calls_at_once_keep_to_the_limit_of_requests_in_flight)
{
    fixture *f = open_with((pw_http_options){ .in_flight = 20 });
    service_on(f->service, "/", (service_answer){ .body = "ok", .hold = true });
    for (uint64_t i = 0; i < 200; i++)
        pw_http_start(f->http, new_call(i, "POST", service_url(f->service, "/")));
    EXPECT_INT(pw_http_in_flight(f->http), 200);
    service_wait_held(f->service, 20);
    service_release(f->service, 200);
    wait_done(f, 200);
    EXPECT_INT(pw_http_in_flight(f->http), 0);
    EXPECT_INT(service_at_once_max(f->service), 20);
    EXPECT_INT(service_requests(f->service), 200);
    EXPECT_INT(service_connections(f->service), 20);
    for (unsigned i = 0; i < 200; i++)
        EXPECT_INT(f->done[i]->result.status, 200);
    close_all(f);
}

TEST(http, calls_of_a_service_are_sent_in_order)
{
    fixture *f = open_with((pw_http_options){ .in_flight = 1 });
    for (uint64_t i = 0; i < 20; i++) {
        char path[16];
        (void)snprintf(path, sizeof path, "/%llu", (unsigned long long)i);
        pw_http_start(f->http, new_call(i, "GET", service_url(f->service, path)));
    }
    wait_done(f, 20);
    for (unsigned i = 0; i < 20; i++) {
        EXPECT_INT(f->done[i]->visit, i);
        EXPECT_INT(atol(service_request_at(f->service, i)->path + 1), i);
    }
    close_all(f);
}

TEST(http, a_slow_service_does_not_hold_up_another)
{
    fixture *f = open_with((pw_http_options){ .in_flight = 8, .per_host = 4 });
    service *fast = service_new();
    service_on(fast, "/", (service_answer){ .body = "fast" });
    service_on(f->service, "/", (service_answer){ .body = "slow", .hold = true });
    for (uint64_t i = 0; i < 40; i++)
        pw_http_start(f->http, new_call(i, "GET", service_url(f->service, "/")));
    service_wait_held(f->service, 4);
    for (uint64_t i = 40; i < 60; i++)
        pw_http_start(f->http, new_call(i, "GET", service_url(fast, "/")));
    wait_done(f, 20); /* the fast ones, while all of the slow ones wait */
    for (unsigned i = 0; i < 20; i++)
        EXPECT_STR(f->done[i]->result.body, "fast");
    EXPECT_INT(service_requests(f->service), 4);
    service_release(f->service, 40);
    wait_done(f, 60);
    EXPECT_INT(service_at_once_max(f->service), 4);
    service_free(fast);
    close_all(f);
}

/* ------------------------------------------------------------------ cancel and free */

TEST(http, a_call_in_flight_is_cancelled)
{
    fixture *f = open_all();
    service_on(f->service, "/", (service_answer){ .hold = true });
    pw_http_call *call = new_call(7, "GET", service_url(f->service, "/"));
    pw_http_start(f->http, call);
    service_wait_held(f->service, 1);
    pw_http_cancel(f->http, PW_LIT("order-1"), 8);
    pw_http_cancel(f->http, PW_LIT("order-2"), 7);
    EXPECT_INT(pw_http_in_flight(f->http), 1);
    pw_http_cancel(f->http, PW_LIT("order-1"), 7);
    wait_done(f, 1);
    EXPECT(f->done[0] == call);
    EXPECT(call->cancelled);
    EXPECT(!call->result.answered);
    EXPECT_STR(call->result.error, "cancelled before an answer came");
    EXPECT_INT(pw_http_in_flight(f->http), 0);
    close_all(f);
}

TEST(http, a_queued_call_is_cancelled_and_never_sent)
{
    fixture *f = open_with((pw_http_options){ .in_flight = 1 });
    service_on(f->service, "/", (service_answer){ .body = "ok", .hold = true });
    for (uint64_t i = 0; i < 4; i++)
        pw_http_start(f->http, new_call(i, "GET", service_url(f->service, "/")));
    service_wait_held(f->service, 1);
    pw_http_cancel(f->http, PW_LIT("order-1"), 2);
    wait_done(f, 1);
    EXPECT_INT(f->done[0]->visit, 2);
    EXPECT(f->done[0]->cancelled);
    service_release(f->service, 3);
    wait_done(f, 4);
    EXPECT_INT(service_requests(f->service), 3);
    EXPECT_INT(f->done[1]->visit, 0);
    EXPECT_INT(f->done[2]->visit, 1);
    EXPECT_INT(f->done[3]->visit, 3);
    EXPECT(!f->done[3]->cancelled);
    close_all(f);
}

TEST(http, a_cancel_of_what_is_not_there_changes_nothing)
{
    fixture *f = open_all();
    service_on(f->service, "/", (service_answer){ .body = "ok" });
    pw_http_cancel(f->http, PW_LIT("order-1"), 1);
    EXPECT_INT(send_one(f, to(f, "GET", "/"))->status, 200);
    pw_http_cancel(f->http, PW_LIT("order-1"), 1);
    EXPECT_INT(f->count, 1);
    close_all(f);
}

TEST(http, cancels_from_other_threads_race_with_answers_and_every_call_comes_back_once)
{
    fixture *f = open_with((pw_http_options){ .in_flight = 8 });
    service_on(f->service, "/", (service_answer){ .body = "ok" });
    for (uint64_t i = 0; i < 500; i++) {
        pw_http_start(f->http, new_call(i, "GET", service_url(f->service, "/")));
        if (i % 3 == 0)
            pw_http_cancel(f->http, PW_LIT("order-1"), i);
        if (i >= 20 && i % 7 == 0)
            pw_http_cancel(f->http, PW_LIT("order-1"), i - 20);
    }
    wait_done(f, 500);
    bool seen[500] = { false };
    for (unsigned i = 0; i < 500; i++) {
        EXPECT(!seen[f->done[i]->visit]);
        seen[f->done[i]->visit] = true;
        EXPECT(f->done[i]->cancelled || f->done[i]->result.status == 200);
    }
    EXPECT_INT(pw_http_in_flight(f->http), 0);
    close_all(f);
}

TEST(http, free_calls_back_for_every_call_in_flight_and_in_the_queue)
{
    fixture *f = open_with((pw_http_options){ .in_flight = 4 });
    service_on(f->service, "/", (service_answer){ .hold = true });
    for (uint64_t i = 0; i < 100; i++)
        pw_http_start(f->http, new_call(i, "GET", service_url(f->service, "/")));
    service_wait_held(f->service, 4);
    pw_http_free(f->http);
    f->http = NULL;
    EXPECT_INT(f->count, 100);
    for (unsigned i = 0; i < 100; i++)
        EXPECT(f->done[i]->cancelled);
    close_all(f);
}

static void start_another(void *context, pw_http_call *call)
{
    fixture *f = context;
    if (call->visit < 3) {
        call->visit++;
        pw_http_start(f->http, call);
        return;
    }
    on_done(context, call);
}

TEST(http, a_callback_may_start_the_next_attempt_even_while_the_driver_ends)
{
    pawl_error err;
    fixture *f = open_all();
    pw_http_free(f->http);
    EXPECT_OK(pw_http_new(&f->http, &(pw_http_options){ .egress_allow = "loopback" }, start_another, f, &err), err);
    service_on(f->service, "/", (service_answer){ .body = "ok" });
    pw_http_start(f->http, new_call(0, "GET", service_url(f->service, "/")));
    wait_done(f, 1);
    EXPECT_INT(service_requests(f->service), 4);
    EXPECT_STR(f->done[0]->result.body, "ok");
    pw_http_start(f->http, new_call(0, "GET", service_url(f->service, "/")));
    pw_http_free(f->http);
    f->http = NULL;
    EXPECT_INT(f->count, 2);
    close_all(f);
}

/* ------------------------------------------------------------------ memory */

TEST(http, running_out_of_memory_is_an_error_or_a_failed_call_never_a_lost_one)
{
    unsigned opened = 0;
    for (uint64_t nth = 1; nth < 40; nth++) {
        fixture *f = open_all();
        pw_http_free(f->http);
        f->http = NULL;
        service_on(f->service, "/", (service_answer){ .headers = "X-A: 1\r\n", .body = "ok" });
        const char *url = service_url(f->service, "/");
        pw_alloc_fail_after(nth);
        pawl_error err;
        pawl_code code = pw_http_new(&f->http, &(pw_http_options){ .egress_allow = "loopback" }, on_done, f, &err);
        pw_http_call *call = code == PAWL_OK ? pw_http_call_new() : NULL;
        if (call) {
            call->instance = PW_LIT("order-1");
            call->request.method = PW_LIT("POST");
            call->request.uri = pw_str_of(url);
            call->key = PW_LIT("key");
            pw_http_start(f->http, call);
            wait_done(f, 1);
        }
        pw_alloc_fail_after(0);
        if (call && call->result.answered)
            opened++;
        else if (call)
            EXPECT_STR(call->result.error, "out of memory");
        else if (code != PAWL_OK)
            EXPECT_INT(code, PAWL_NO_MEMORY);
        close_all(f);
    }
    EXPECT(opened > 0 && opened < 39);
}

TEST_MAIN()
