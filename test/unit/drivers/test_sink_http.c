/* The HTTP sink: CloudEvents posted to a service on loopback. */
#include <stdlib.h>
#include "sink_fixture.h"
#include "http/service.h"
#include "http/tls_service.h"

typedef struct http_fixture {
    batch_fixture b;
    service *service;
} http_fixture;

static http_fixture *open_http(pawl_sink_options options)
{
    static http_fixture f;
    service *s = service_new();
    options.name = "web";
    options.type = "http";
    options.url = service_url(s, "/in");
    static pawl_sink_options kept; /* it lives as long as the sink */
    kept = options;
    open_sink(&f.b, &kept);
    f.service = s;
    return &f;
}

static void close_http(http_fixture *f)
{
    close_sink(&f->b);
    service_free(f->service);
}

static const char *sent_header(http_fixture *f, unsigned at, const char *name)
{
    const char *value = service_header(f->service, service_request_at(f->service, at), name);
    return value ? value : "(none)";
}

static bool one_has_come(void *context)
{
    return service_requests(context) >= 1;
}

static bool three_have_come(void *context)
{
    return service_requests(context) >= 3;
}

/* ------------------------------------------------------------------ modes */

TEST(http_sink, an_event_is_posted_as_it_is_and_taken)
{
    http_fixture *f = open_http((pawl_sink_options){ 0 });
    service_on(f->service, "/in", (service_answer){ .status = 202 });
    add_event(&f->b, "a", 1);
    f->b.events[0].trace = PW_LIT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    publish_all(&f->b);
    EXPECT_TEXT(ends(&f->b), "t");
    const service_request *request = service_request_at(f->service, 0);
    EXPECT_TEXT(request->method, "POST");
    EXPECT_TEXT(request->path, "/in");
    EXPECT_TEXT(request->body, "{\"specversion\":\"1.0\",\"id\":\"a-1\",\"source\":\"/shop/order/"
                               "1\",\"type\":\"order.placed\",\"data\":{\"number\":1}}");
    EXPECT_TEXT(sent_header(f, 0, "Content-Type"), "application/cloudevents+json; charset=utf-8");
    EXPECT_TEXT(sent_header(f, 0, "traceparent"),
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    EXPECT_TEXT(sent_header(f, 0, "Pawl-Signature"), "(none)");
    EXPECT_TEXT(sent_header(f, 0, "Authorization"), "(none)");
    close_http(f);
}

TEST(http_sink, binary_mode_puts_attributes_into_headers_and_data_into_the_body)
{
    http_fixture *f = open_http((pawl_sink_options){ .mode = "binary" });
    service_on(f->service, "/in", (service_answer){ 0 });
    add_event(&f->b, "a", 1);
    f->b.events[0].payload =
        PW_LIT("{\"specversion\":\"1.0\",\"id\":\"a-1\",\"source\":\"/"
               "shop\",\"type\":\"order.placed\",\"subject\":\"caf\\u00e9 50% \\\"x\\\"\","
               "\"pawlsequence\":7,\"pawlrequeued\":true,\"datacontenttype\":\"application/"
               "json\",\"data\":{\"price\":1.50}}");
    publish_all(&f->b);
    EXPECT_TEXT(ends(&f->b), "t");
    EXPECT_TEXT(service_request_at(f->service, 0)->body, "{\"price\":1.50}");
    EXPECT_TEXT(sent_header(f, 0, "Content-Type"), "application/json");
    EXPECT_TEXT(sent_header(f, 0, "ce-specversion"), "1.0");
    EXPECT_TEXT(sent_header(f, 0, "ce-id"), "a-1");
    EXPECT_TEXT(sent_header(f, 0, "ce-source"), "/shop");
    EXPECT_TEXT(sent_header(f, 0, "ce-subject"), "caf%C3%A9%2050%25%20%22x%22");
    EXPECT_TEXT(sent_header(f, 0, "ce-pawlsequence"), "7");
    EXPECT_TEXT(sent_header(f, 0, "ce-pawlrequeued"), "true");
    EXPECT_TEXT(sent_header(f, 0, "ce-datacontenttype"), "(none)");
    EXPECT_TEXT(sent_header(f, 0, "ce-data"), "(none)");
    close_http(f);
}

TEST(http_sink, binary_mode_sends_each_kind_of_data_in_its_own_form)
{
    static const struct {
        const char *members, *body, *type;
        size_t body_len;
    } cases[] = {
        { "\"data\":\"<a/>\",\"datacontenttype\":\"application/xml\"", "<a/>", "application/xml",
          4 },
        { "\"data\":\"text\",\"datacontenttype\":\"text/json; x=1\"", "\"text\"", "text/json; x=1",
          6 },
        { "\"data\":\"text\",\"datacontenttype\":\"application/problem+json\"", "\"text\"",
          "application/problem+json", 6 },
        { "\"data\":\"text\"", "\"text\"", "application/json", 6 },
        { "\"data_base64\":\"AP8Q\",\"datacontenttype\":\"image/png\"", "\x00\xff\x10", "image/png",
          3 },
        { "\"data_base64\":\"AA==\"", "\x00", "application/json", 1 },
        { "\"data\":null", "null", "application/json", 4 },
        { "\"subject\":\"s\"", "", "application/json", 0 },
        { "\"data\":1,\"datacontenttype\":\"a\\r\\nEvil: 1\"", "1", "application/octet-stream", 1 },
    };
    http_fixture *f = open_http((pawl_sink_options){ .mode = "binary", .at_once = 1 });
    service_on(f->service, "/in", (service_answer){ 0 });
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        add_event(&f->b, "a", (unsigned)i);
        f->b.events[i].payload = pw_arena_printf(
            &f->b.arena,
            "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\",%s}",
            cases[i].members);
    }
    publish_all(&f->b);
    EXPECT_TEXT(ends(&f->b), "ttttttttt");
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        const service_request *request = service_request_at(f->service, (unsigned)i);
        EXPECT_INT(request->body_len, cases[i].body_len);
        EXPECT(memcmp(request->body, cases[i].body, cases[i].body_len) == 0);
        EXPECT_TEXT(sent_header(f, (unsigned)i, "Content-Type"), cases[i].type);
        EXPECT_TEXT(sent_header(f, (unsigned)i, "Evil"), "(none)");
    }
    close_http(f);
}

TEST(http_sink, what_binary_mode_cannot_send_is_refused_and_sent_to_nobody)
{
    http_fixture *f = open_http((pawl_sink_options){ .mode = "binary" });
    service_on(f->service, "/in", (service_answer){ 0 });
    static const char *const payloads[] = {
        "{\"id\":\"1\",\"nested\":{}}",
        "{\"id\":\"1\",\"x-y\":1}",
        "{\"data_base64\":\"A\"}",
        "{\"data_base64\":\"A===\"}",
        "{\"data_base64\":\"AA==AAAA\"}",
        "[]",
        "{",
    };
    static const char *const instances[] = { "a", "b", "c", "d", "e", "f", "g" };
    for (size_t i = 0; i < PW_LENGTH(payloads); i++) {
        add_event(&f->b, instances[i], 1);
        f->b.events[i].payload = pw_str_of(payloads[i]);
    }
    publish_all(&f->b);
    EXPECT_TEXT(ends(&f->b), "rrrrrrr");
    EXPECT_STR(f->b.events[0].error, "its attribute 'nested' cannot be a header: an attribute has "
                                     "letters and digits, and is a text, "
                                     "a number or a boolean");
    EXPECT_STR(f->b.events[2].error, "its data_base64 is not base 64");
    EXPECT_STR(f->b.events[4].error, "its data_base64 is not base 64");
    EXPECT_STR(f->b.events[5].error, "it is not a JSON object");
    EXPECT_INT(service_requests(f->service), 0);
    close_http(f);
}

/* ------------------------------------------------------------------ who sends */

TEST(http_sink, the_signature_is_hmac_of_time_and_body)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    /* As Python's hmac has it. */
    EXPECT_STR(pw_sink_signature(PW_LIT("whsec"), 1700000000, PW_LIT("{\"a\":1}"), &arena),
               "Pawl-Signature: "
               "t=1700000000,v1=8ad37ba156048ae0e0a5533c75cdf26fee88b07f93cb57ee4c80adb053012032");
    pw_arena_done(&arena);
}

/* What became of an event for https://127.0.0.1 at a service, and why. */
static const char *publish_to(tls_service *s, const char *ca, char why[512])
{
    char url[64];
    static batch_fixture b;
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%d/in", tls_service_port(s));
    open_sink(&b, &(pawl_sink_options){ .name = "web", .type = "http", .url = url, .ca = ca });
    add_event(&b, "a", 1);
    publish_all(&b);
    (void)snprintf(why, 512, PW_FMT, PW_ARG(b.events[0].error));
    close_sink(&b);
    return ends(&b);
}

TEST(http_sink, a_certificate_must_be_of_an_authority_that_is_trusted_and_of_the_host)
{
    char why[512];
    tls_service *s = tls_service_new(pw_test_dir(), false);
    EXPECT_TEXT(publish_to(s, NULL, why), "F");
    EXPECT_CONTAINS(why, "not reached: SSL certificate problem");
    EXPECT_TEXT(publish_to(s, tls_service_file(s, "stranger.pem"), why), "F");
    EXPECT_CONTAINS(why, "not reached: SSL certificate problem");
    EXPECT_TEXT(publish_to(s, tls_service_file(s, "ca.pem"), why), "t");
    EXPECT_INT(tls_service_requests(s), 1);
    tls_service_free(s);
    s = tls_service_named(pw_test_dir(), false, "DNS:shop.invalid");
    EXPECT_TEXT(publish_to(s, tls_service_file(s, "ca.pem"), why), "F");
    EXPECT_CONTAINS(why, "not reached: SSL: no alternative certificate subject name matches target");
    EXPECT_INT(tls_service_requests(s), 0);
    tls_service_free(s);
}

TEST(http_sink, a_secret_signs_what_is_sent)
{
    http_fixture *f = open_http((pawl_sink_options){ .secret = "whsec" });
    service_on(f->service, "/in", (service_answer){ 0 });
    add_event(&f->b, "a", 1);
    publish_all(&f->b);
    EXPECT_TEXT(ends(&f->b), "t");
    const service_request *request = service_request_at(f->service, 0);
    const char *sent = sent_header(f, 0, "Pawl-Signature");
    unsigned long long seconds = strtoull(sent + 2, NULL, 10);
    EXPECT(seconds > 1700000000);
    pw_str line =
        pw_sink_signature(PW_LIT("whsec"), seconds, pw_str_of(request->body), &f->b.arena);
    EXPECT_TEXT(line.ptr + strlen("Pawl-Signature: "), sent);
    close_http(f);
}

TEST(http_sink, credentials_and_headers_of_the_operator_go_along)
{
    http_fixture *f = open_http(
        (pawl_sink_options){ .token = "tok", .headers = "X-Tenant=acme,X-Kind=a=b,X-Empty=" });
    service_on(f->service, "/in", (service_answer){ 0 });
    add_event(&f->b, "a", 1);
    publish_all(&f->b);
    EXPECT_TEXT(sent_header(f, 0, "Authorization"), "Bearer tok");
    EXPECT_TEXT(sent_header(f, 0, "X-Tenant"), "acme");
    EXPECT_TEXT(sent_header(f, 0, "X-Kind"), "a=b");
    EXPECT_TEXT(sent_header(f, 0, "X-Empty"), "");
    close_http(f);
    f = open_http((pawl_sink_options){ .user = "me", .password = "secret" });
    service_on(f->service, "/in", (service_answer){ 0 });
    add_event(&f->b, "a", 1);
    publish_all(&f->b);
    EXPECT_TEXT(sent_header(f, 0, "Authorization"), "Basic bWU6c2VjcmV0");
    close_http(f);
}

/* ------------------------------------------------------------------ what became of it */

TEST(http_sink, an_answer_says_whether_it_is_taken_failed_or_refused)
{
    static const struct {
        int status;
        const char *end, *error;
    } cases[] = {
        { 200, "t", "" },
        { 204, "t", "" },
        { 299, "t", "" },
        { 302, "r", "answered 302: why" },
        { 400, "r", "answered 400: why" },
        { 404, "r", "answered 404: why" },
        { 408, "f", "answered 408: why" },
        { 410, "r", "answered 410: why" },
        { 422, "r", "answered 422: why" },
        { 425, "f", "answered 425: why" },
        { 500, "f", "answered 500: why" },
        { 502, "f", "answered 502: why" },
        { 401, "F", "answered 401: why" },
        { 403, "F", "answered 403: why" },
        { 407, "F", "answered 407: why" },
        { 429, "F", "answered 429: why" },
        { 503, "F", "answered 503: why" },
    };
    http_fixture *f = open_http((pawl_sink_options){ 0 });
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        service_on(f->service, "/in",
                   (service_answer){ .status = cases[i].status,
                                     .times = 1,
                                     .headers = "Location: /other\r\n",
                                     .body = cases[i].status == 204 ? "" : "why\nand more" });
        f->b.count = 0;
        add_event(&f->b, "a", 1);
        publish_all(&f->b);
        EXPECT_TEXT(ends(&f->b), cases[i].end);
        EXPECT_STR(f->b.events[0].error, cases[i].error);
    }
    EXPECT_INT(service_requests(f->service), PW_LENGTH(cases)); /* no redirect was followed */
    close_http(f);
}

TEST(http_sink, a_service_that_asks_for_time_is_heard)
{
    http_fixture *f = open_http((pawl_sink_options){ 0 });
    service_on(f->service, "/in",
               (service_answer){ .status = 429, .headers = "Retry-After: 17\r\n" });
    add_event(&f->b, "a", 1);
    publish_all(&f->b);
    EXPECT_TEXT(ends(&f->b), "F");
    EXPECT_INT(f->b.events[0].retry_after_ms, 17000);
    close_http(f);
}

TEST(http_sink, a_connection_that_breaks_before_the_answer_is_a_failure)
{
    http_fixture *f = open_http((pawl_sink_options){ .at_once = 1 });
    service_on(f->service, "/in",
               (service_answer){ .manner = SERVICE_CLOSE,
                                 .times = 2 }); /* libcurl sends it again on a new one */
    service_on(
        f->service, "/in",
        (service_answer){ .manner = SERVICE_GARBAGE, .body = "nonsense\r\n\r\n", .times = 1 });
    service_on(f->service, "/in", (service_answer){ .status = 200 });
    add_event(&f->b, "a", 1);
    publish_all(&f->b);
    EXPECT_TEXT(ends(&f->b), "f");
    EXPECT(pw_str_starts(f->b.events[0].error, PW_LIT("no answer: ")));
    close_http(f);
}

TEST(http_sink, an_answer_that_never_ends_is_read_only_so_far)
{
    http_fixture *f = open_http((pawl_sink_options){ 0 });
    service_on(f->service, "/in",
               (service_answer){ .manner = SERVICE_ENDLESS_BODY, .body = "la la " });
    add_event(&f->b, "a", 1);
    publish_all(&f->b);
    EXPECT_TEXT(ends(&f->b), "t");
    close_http(f);
}

TEST(http_sink, an_answer_that_does_not_come_in_time_is_a_failure)
{
    http_fixture *f = open_http((pawl_sink_options){ .timeout_ms = 1000 });
    service_on(f->service, "/in", (service_answer){ .hold = true });
    add_event(&f->b, "a", 1);
    publish_all(&f->b);
    EXPECT_TEXT(ends(&f->b), "f");
    EXPECT(pw_str_starts(f->b.events[0].error, PW_LIT("no answer: Operation timed out")));
    service_release(f->service, 1);
    close_http(f);
}

TEST(http_sink, where_nobody_listens_one_event_has_failed_and_the_others_were_not_tried)
{
    char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/in", service_dead_port());
    batch_fixture f;
    open_sink(&f, &(pawl_sink_options){ .name = "web", .type = "http", .url = url, .at_once = 4 });
    static const char *const instances[] = { "a", "b", "c", "d", "e", "f" };
    for (size_t i = 0; i < PW_LENGTH(instances); i++)
        add_event(&f, instances[i], 1);
    publish_all(&f);
    EXPECT_TEXT(ends(&f), "Fhhhhh");
    EXPECT(pw_str_starts(f.events[0].error, PW_LIT("not reached: ")));
    EXPECT_INT(f.events[1].error.len, 0);
    close_sink(&f);
}

/* ------------------------------------------------------------------ order */

TEST(http_sink, events_of_one_instance_go_one_after_the_other_and_instances_side_by_side)
{
    http_fixture *f = open_http((pawl_sink_options){ .at_once = 3 });
    service_on(f->service, "/in", (service_answer){ 0 });
    static const char *const instances[] = { "a", "b", "c", "d" };
    for (unsigned n = 1; n <= 25; n++) {
        for (size_t i = 0; i < PW_LENGTH(instances); i++)
            add_event(&f->b, instances[i], n);
    }
    publish_all(&f->b);
    EXPECT_INT(strspn(ends(&f->b), "t"), 100);
    unsigned last[4] = { 0 };
    for (unsigned i = 0; i < 100; i++) {
        const char *id = strstr(service_request_at(f->service, i)->body, "\"id\":\"") + 6;
        unsigned number = (unsigned)strtoul(id + 2, NULL, 10);
        EXPECT_INT(number, last[*id - 'a'] + 1);
        last[*id - 'a'] = number;
    }
    EXPECT(service_at_once_max(f->service) <= 3);
    EXPECT(service_connections(f->service) <= 3);
    close_http(f);
}

TEST(http_sink, as_many_go_at_once_as_its_options_say)
{
    http_fixture *f = open_http((pawl_sink_options){ .at_once = 3 });
    service_on(f->service, "/in", (service_answer){ .hold = true });
    static const char *const instances[] = { "a", "b", "c", "d", "e" };
    for (size_t i = 0; i < PW_LENGTH(instances); i++)
        add_event(&f->b, instances[i], 1);
    f->b.stop = three_have_come;
    f->b.context = f->service;
    publish_all(&f->b);
    EXPECT_TEXT(ends(&f->b), "fffhh");
    EXPECT_INT(service_requests(f->service), 3);
    service_release(f->service, 3);
    close_http(f);
}

TEST(http_sink, what_is_behind_a_failed_event_of_its_instance_is_held)
{
    http_fixture *f = open_http((pawl_sink_options){ .at_once = 1 });
    service_on(f->service, "/in", (service_answer){ .status = 500, .times = 1 });
    service_on(f->service, "/in", (service_answer){ .status = 400, .times = 1 });
    service_on(f->service, "/in", (service_answer){ .status = 200 });
    add_event(&f->b, "a", 1);
    add_event(&f->b, "b", 1);
    add_event(&f->b, "a", 2);
    add_event(&f->b, "b", 2);
    add_event(&f->b, "c", 1);
    add_event(&f->b, "a", 3);
    publish_all(&f->b);
    EXPECT_TEXT(ends(&f->b), "frhhth");
    EXPECT_INT(service_requests(f->service), 3);
    close_http(f);
}

TEST(http_sink, told_to_stop_it_gives_up_what_is_under_way_and_begins_nothing)
{
    http_fixture *f = open_http((pawl_sink_options){ .at_once = 1 });
    service_on(f->service, "/in", (service_answer){ .hold = true });
    f->b.stop = one_has_come;
    f->b.context = f->service;
    add_event(&f->b, "a", 1);
    add_event(&f->b, "b", 1);
    publish_all(&f->b);
    EXPECT_TEXT(ends(&f->b), "fh");
    EXPECT_STR(f->b.events[0].error, "no answer: closing");
    service_release(f->service, 1);
    close_http(f);
}

/* ------------------------------------------------------------------ options */

TEST(http_sink, options_that_cannot_work_are_refused_when_it_is_opened)
{
    static const struct {
        pawl_sink_options options;
        const char *message;
    } cases[] = {
        { { 0 }, "sink 'web': its url is not given: where events are posted" },
        { { .url = "ftp://host/" },
          "sink 'web': url 'ftp://host/' is no absolute http or https URL" },
        { { .url = "/in" }, "sink 'web': url '/in' is no absolute http or https URL" },
        { { .url = "http://u:secret@/x?k=secret" },
          "sink 'web': url 'http:///x' is no absolute http or https URL" },
        { { .url = "http://h/", .mode = "Binary" },
          "sink 'web': mode 'Binary' is neither structured nor binary" },
        { { .url = "http://h/", .token = "t", .user = "u" },
          "sink 'web': a token and a user with password are both given: a request has one "
          "Authorization" },
        { { .url = "http://h/", .password = "p" },
          "sink 'web': a password is given without a user" },
        { { .url = "http://h/", .headers = "A=b,secret" },
          "sink 'web': headers: entry 2 is not NAME=VALUE" },
        { { .url = "http://h/", .headers = "A=b,,C=d" },
          "sink 'web': headers: entry 2 is not NAME=VALUE" },
        { { .url = "http://h/", .headers = "a b=c" },
          "sink 'web': headers: entry 1 is not NAME=VALUE" },
        { { .url = "http://h/", .headers = "A=b\x01" },
          "sink 'web': headers: the value of A has a control character" },
        { { .url = "http://h/", .headers = "content-type=x" },
          "sink 'web': headers: Content-Type is made here, and cannot be given" },
        { { .url = "http://h/", .ca = "/nowhere/ca.pem" },
          "sink 'web': egress certificates: '/nowhere/ca.pem' cannot be opened: No such file or "
          "directory" },
        { { .url = "http://h/", .at_once = 1025 },
          "sink 'web': 1025 publishes at once are more than 1024" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl_sink_options options = cases[i].options;
        options.name = "web";
        options.type = "http";
        expect_refused(&options, PAWL_INVALID, cases[i].message);
    }
}

TEST(http_sink, a_sink_needs_a_name_and_a_type_that_is_known)
{
    expect_refused(&(pawl_sink_options){ .type = "http" }, PAWL_INVALID, "a sink has no name");
    expect_refused(&(pawl_sink_options){ .name = "a b", .type = "http" }, PAWL_INVALID,
                   "sink 'a b': a name is 1 to 64 letters, digits, '-', '_', '.'");
    char longest[66], message[160];
    memset(longest, 'n', 65);
    longest[65] = '\0';
    (void)snprintf(message, sizeof message, "sink '%s': a name is 1 to 64 letters, digits, '-', '_', '.'", longest);
    expect_refused(&(pawl_sink_options){ .name = longest, .type = "http" }, PAWL_INVALID, message);
    longest[64] = '\0';
    (void)snprintf(message, sizeof message, "sink '%s': its type is not given: http, file or nats", longest);
    expect_refused(&(pawl_sink_options){ .name = longest }, PAWL_INVALID, message);
    expect_refused(&(pawl_sink_options){ .name = "a" }, PAWL_INVALID,
                   "sink 'a': its type is not given: http, file or nats");
    expect_refused(&(pawl_sink_options){ .name = "a", .type = "htp" }, PAWL_INVALID,
                   "sink 'a': type 'htp' is none: http, file or nats; did you mean 'http'?");
}

TEST(http_sink, its_target_has_no_secret)
{
    batch_fixture f;
    open_sink(&f, &(pawl_sink_options){
                      .name = "web",
                      .type = "http",
                      .url = "https://user:secret@host.example:8443/in/x?key=secret#f" });
    EXPECT_TEXT(f.sink->kind->target(f.sink), "https://host.example:8443/in/x");
    close_sink(&f);
}

TEST_MAIN()
