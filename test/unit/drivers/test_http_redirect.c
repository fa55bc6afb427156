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

TEST_MAIN()
