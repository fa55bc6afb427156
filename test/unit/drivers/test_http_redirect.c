/* The HTTP driver: answers that lead elsewhere. */
#include "http_fixture.h"

TEST(http, a_redirect_is_an_answer_unless_the_request_follows)
{
    fixture *f = open_all();
    service_on(f->service, "/old",
               (service_answer){
                   .status = 302, .headers = "Location: /new\r\nX-Old: 1\r\n", .body = "moved" });
    service_on(f->service, "/new", (service_answer){ .headers = "X-New: 1\r\n", .body = "here" });
    const pw_call_result *stays = send_one(f, to(f, "GET", "/old"));
    EXPECT_INT(stays->status, 302);
    EXPECT_TEXT(header(stays, "location"), "/new");
    EXPECT_STR(stays->body, "moved");
    pw_http_call *call = to(f, "GET", "/old");
    call->request.redirect = true;
    const pw_call_result *follows = send_one(f, call);
    EXPECT_INT(follows->status, 200);
    EXPECT_STR(follows->body, "here");
    EXPECT_TEXT(header(follows, "x-new"), "1");
    EXPECT(header(follows, "x-old") == NULL);
    close_all(f);
}

TEST(http, redirects_keep_or_change_the_method_as_browsers_do)
{
    static const struct {
        int status;
        const char *method, *then, *body;
    } cases[] = {
        { 301, "POST", "GET", "" },       { 302, "POST", "GET", "" },
        { 303, "POST", "GET", "" },       { 307, "POST", "POST", "b" },
        { 308, "POST", "POST", "b" },     { 301, "PUT", "PUT", "b" },
        { 302, "PATCH", "PATCH", "b" },   { 303, "PUT", "GET", "" },
        { 307, "PUT", "PUT", "b" },       { 303, "DELETE", "GET", "" },
        { 308, "DELETE", "DELETE", "b" },
    };
    fixture *f = open_all();
    service_on(f->service, "/new", (service_answer){ .body = "here" });
    for (unsigned i = 0; i < PW_LENGTH(cases); i++) {
        service_on(f->service, "/old",
                   (service_answer){
                       .status = cases[i].status, .headers = "Location: new\r\n", .times = 1 });
        pw_http_call *call = to(f, cases[i].method, "/old");
        call->request.redirect = true;
        call->request.body = PW_LIT("b");
        EXPECT_STR(send_one(f, call)->body, "here");
        const service_request *request = service_request_at(f->service, 2 * i + 1);
        EXPECT_TEXT(request->method, cases[i].then);
        EXPECT_TEXT(request->body, cases[i].body);
        EXPECT_TEXT(request->path, "/new");
    }
    close_all(f);
}

TEST(http, head_stays_head_after_see_other)
{
    fixture *f = open_all();
    service_on(f->service, "/old",
               (service_answer){ .status = 303, .headers = "Location: /new\r\n" });
    service_on(f->service, "/new", (service_answer){ .body = "here" });
    pw_http_call *call = to(f, "HEAD", "/old");
    call->request.redirect = true;
    EXPECT_INT(send_one(f, call)->status, 200);
    EXPECT_TEXT(service_request_at(f->service, 1)->method, "HEAD");
    close_all(f);
}

TEST(http, authorization_is_not_sent_to_another_host)
{
    fixture *f = open_all();
    service *other = service_new();
    service_on(other, "/there", (service_answer){ .body = "there" });
    char location[128];
    (void)snprintf(location, sizeof location, "Location: %s\r\n", service_url(other, "/there"));
    service_on(f->service, "/here",
               (service_answer){ .status = 307, .headers = "Location: /again\r\n" });
    service_on(f->service, "/again", (service_answer){ .status = 307, .headers = location });
    pw_http_call *call = to(f, "POST", "/here");
    call->request.redirect = true;
    call->key = PW_LIT("k1");
    add_header(call, PW_LIT("Authorization"), PW_LIT("Bearer secret"));
    add_header(call, PW_LIT("Cookie"), PW_LIT("session=secret"));
    EXPECT_STR(send_one(f, call)->body, "there");
    EXPECT_TEXT(service_header(f->service, service_request_at(f->service, 1), "Authorization"),
                "Bearer secret");
    const service_request *last = service_request_at(other, 0);
    EXPECT(service_header(other, last, "Authorization") == NULL);
    EXPECT(service_header(other, last, "Cookie") == NULL);
    EXPECT_TEXT(service_header(other, last, "Idempotency-Key"), "k1");
    service_free(other);
    close_all(f);
}

TEST(http, a_loop_of_redirects_ends)
{
    fixture *f = open_all();
    service_on(f->service, "/a", (service_answer){ .status = 302, .headers = "Location: /b\r\n" });
    service_on(f->service, "/b", (service_answer){ .status = 302, .headers = "Location: /a\r\n" });
    pw_http_call *call = to(f, "GET", "/a");
    call->request.redirect = true;
    const pw_call_result *result = send_one(f, call);
    EXPECT(!result->answered);
    EXPECT_STR(result->error, with_port("more than 10 redirects, the last by 127.0.0.1:%d",
                                        service_port(f->service)));
    EXPECT_INT(service_requests(f->service), 11);
    close_all(f);
}

TEST(http, a_redirect_to_another_protocol_is_refused)
{
    fixture *f = open_all();
    service_on(
        f->service, "/",
        (service_answer){ .status = 302, .headers = "Location: ftp://127.0.0.1/secret\r\n" });
    pw_http_call *call = to(f, "GET", "/");
    call->request.redirect = true;
    const pw_call_result *result = send_one(f, call);
    EXPECT(!result->answered);
    EXPECT_STR(result->error, "redirected to ftp://127.0.0.1, which is neither http nor https");
    close_all(f);
}

static const char *location_of(char *out, service *s, const char *path)
{
    (void)snprintf(out, 128, "Location: %s\r\n", service_url(s, path));
    return out;
}

TEST(http, to_another_service_go_only_the_headers_that_are_no_secrets)
{
    static const struct {
        const char *name;
        bool along;
    } cases[] = {
        { "Accept", true },          { "Content-Type", true },     { "X-Api-Key", false },  { "Proxy-Authorization", false },
        { "Accept-Language", true }, { "Content-Language", true }, { "X-Custom", false },   { "Host", false },
        { "Prefer", true },          { "If-Match", false },        { "X-Auth-Token", false },
    };
    char location[128];
    fixture *f = open_all();
    service *other = service_new();
    service_on(other, "/there", (service_answer){ .body = "there" });
    service_on(f->service, "/here", (service_answer){ .status = 308, .headers = location_of(location, other, "/there") });
    pw_http_call *call = to(f, "POST", "/here");
    call->request.redirect = true;
    call->correlation = PW_LIT("order-7");
    call->request.body = PW_LIT("b");
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        add_header(call, pw_str_of(cases[i].name), PW_LIT("v"));
    EXPECT_STR(send_one(f, call)->body, "there");
    const service_request *first = service_request_at(f->service, 0), *last = service_request_at(other, 0);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        EXPECT_TEXT(service_header(f->service, first, cases[i].name), "v");
        const char *value = service_header(other, last, cases[i].name);
        if ((value && strcmp(value, "v") == 0) != cases[i].along)
            fail_msg("%s: %s", cases[i].name, value ? value : "did not go along");
    }
    EXPECT_TEXT(service_header(other, last, "X-Correlation-ID"), "order-7");
    service_free(other);
    close_all(f);
}

TEST(http, what_has_left_a_service_shows_it_no_secret_when_it_comes_back)
{
    char away[128], back[128];
    fixture *f = open_all();
    service *other = service_new();
    service_on(f->service, "/a", (service_answer){ .status = 302, .headers = location_of(away, other, "/b") });
    service_on(other, "/b", (service_answer){ .status = 302, .headers = location_of(back, f->service, "/c") });
    service_on(f->service, "/c", (service_answer){ .status = 302, .headers = "Location: /d\r\n" });
    service_on(f->service, "/d", (service_answer){ .body = "d" });
    pw_http_call *call = to(f, "GET", "/a");
    call->request.redirect = true;
    add_header(call, PW_LIT("Authorization"), PW_LIT("Bearer secret"));
    EXPECT_STR(send_one(f, call)->body, "d");
    EXPECT_TEXT(service_header(f->service, service_request_at(f->service, 0), "Authorization"), "Bearer secret");
    EXPECT(service_header(f->service, service_request_at(f->service, 1), "Authorization") == NULL);
    EXPECT(service_header(f->service, service_request_at(f->service, 2), "Authorization") == NULL);
    service_free(other);
    close_all(f);
}

TEST(http, user_and_password_of_the_uri_do_not_go_to_another_service)
{
    char uri[128], location[128];
    fixture *f = open_all();
    service *other = service_new();
    (void)snprintf(uri, sizeof uri, "http://u:p@127.0.0.1:%d/a", service_port(f->service));
    service_on(f->service, "/a", (service_answer){ .status = 302, .headers = "Location: b?x=1\r\n" });
    service_on(f->service, "/b", (service_answer){ .status = 302, .headers = location_of(location, other, "/c") });
    service_on(other, "/c", (service_answer){ .body = "c" });
    pw_http_call *call = new_call(1, "GET", uri);
    call->request.redirect = true;
    EXPECT_STR(send_one(f, call)->body, "c");
    EXPECT_TEXT(service_header(f->service, service_request_at(f->service, 0), "Authorization"), "Basic dTpw");
    EXPECT_TEXT(service_request_at(f->service, 1)->path, "/b?x=1");
    EXPECT_TEXT(service_header(f->service, service_request_at(f->service, 1), "Authorization"), "Basic dTpw");
    EXPECT(service_header(other, service_request_at(other, 0), "Authorization") == NULL);
    service_free(other);
    close_all(f);
}

TEST(http, a_body_that_stays_behind_takes_its_headers_with_it)
{
    fixture *f = open_all();
    service_on(f->service, "/a", (service_answer){ .status = 303, .headers = "Location: /b\r\n" });
    service_on(f->service, "/b", (service_answer){ .body = "b" });
    pw_http_call *call = to(f, "POST", "/a");
    call->request.redirect = true;
    call->request.body = PW_LIT("{}");
    add_header(call, PW_LIT("Content-Type"), PW_LIT("application/json"));
    add_header(call, PW_LIT("X-Custom"), PW_LIT("v"));
    EXPECT_STR(send_one(f, call)->body, "b");
    const service_request *last = service_request_at(f->service, 1);
    EXPECT_TEXT(last->method, "GET");
    EXPECT(service_header(f->service, last, "Content-Type") == NULL);
    EXPECT(service_header(f->service, last, "Content-Length") == NULL);
    EXPECT_TEXT(service_header(f->service, last, "X-Custom"), "v");
    close_all(f);
}

TEST(http, the_number_of_redirects_is_a_setting)
{
    fixture *f = open_with((pw_http_options){ .redirects = 2 });
    service_on(f->service, "/0", (service_answer){ .status = 302, .headers = "Location: /1\r\n" });
    service_on(f->service, "/1", (service_answer){ .status = 302, .headers = "Location: /2\r\n" });
    service_on(f->service, "/2", (service_answer){ .status = 302, .headers = "Location: /3\r\n" });
    service_on(f->service, "/3", (service_answer){ .body = "3" });
    pw_http_call *call = to(f, "GET", "/1");
    call->request.redirect = true;
    EXPECT_STR(send_one(f, call)->body, "3");
    call = to(f, "GET", "/0");
    call->request.redirect = true;
    const pw_call_result *result = send_one(f, call);
    EXPECT_STR(result->error, with_port("more than 2 redirects, the last by 127.0.0.1:%d", service_port(f->service)));
    EXPECT_INT(result->class_, PW_CLASS_MALFORMED);
    EXPECT(!result->unsent);
    EXPECT_INT(service_requests(f->service), 6);
    close_all(f);
}

TEST(http, only_what_is_a_redirect_leads_on)
{
    static const int statuses[] = { 200, 201, 300, 304, 305, 400 };
    fixture *f = open_all();
    for (size_t i = 0; i < PW_LENGTH(statuses); i++) {
        service_on(f->service, "/a", (service_answer){ .status = statuses[i], .headers = "Location: /b\r\n", .times = 1 });
        pw_http_call *call = to(f, "GET", "/a");
        call->request.redirect = true;
        EXPECT_INT(send_one(f, call)->status, statuses[i]);
    }
    service_on(f->service, "/nowhere", (service_answer){ .status = 302 });
    pw_http_call *call = to(f, "GET", "/nowhere");
    call->request.redirect = true;
    EXPECT_INT(send_one(f, call)->status, 302);
    close_all(f);
}

TEST(http, a_location_that_is_no_uri_is_a_failure)
{
    static const char *const locations[] = { "Location: http://\r\n", "Location: http://a b/\r\n", "Location: http://h:99999/\r\n" };
    fixture *f = open_all();
    for (size_t i = 0; i < PW_LENGTH(locations); i++) {
        service_on(f->service, "/a", (service_answer){ .status = 302, .headers = locations[i], .times = 1 });
        pw_http_call *call = to(f, "GET", "/a");
        call->request.redirect = true;
        const pw_call_result *result = send_one(f, call);
        EXPECT(!result->answered);
        EXPECT_INT(result->class_, PW_CLASS_MALFORMED);
        EXPECT_CONTAINS(error_text(result), "which is no http or https URI");
    }
    close_all(f);
}

TEST(http, all_redirects_together_have_the_time_of_one_call)
{
    fixture *f = open_with((pw_http_options){ .redirects = 100 });
    service_on(f->service, "/a", (service_answer){ .status = 302, .headers = "Location: /a\r\n", .delay_ms = 20 });
    pw_http_call *call = to(f, "GET", "/a");
    call->request.redirect = true;
    call->timeout_ms = 300; /* each is within it, and a hundred take two seconds at least */
    const pw_call_result *result = send_one(f, call);
    EXPECT(result->timed_out);
    EXPECT_STR(result->error, with_port("no complete answer from 127.0.0.1:%d within 300 ms", service_port(f->service)));
    close_all(f);
}

TEST(http, a_redirected_call_is_cancelled_and_gives_its_place_back)
{
    fixture *f = open_with((pw_http_options){ .per_host = 1 });
    service_on(f->service, "/a", (service_answer){ .status = 302, .headers = "Location: /b\r\n" });
    service_on(f->service, "/b", (service_answer){ .hold = true });
    service_on(f->service, "/c", (service_answer){ .body = "c" });
    pw_http_call *call = to(f, "GET", "/a");
    call->request.redirect = true;
    pw_http_start(f->http, call);
    service_wait_held(f->service, 1);
    pw_http_cancel(f->http, PW_LIT("order-1"), 1);
    wait_done(f, 1);
    EXPECT(call->cancelled);
    EXPECT_STR(send_one(f, to(f, "GET", "/c"))->body, "c");
    close_all(f);
}

TEST_MAIN()
