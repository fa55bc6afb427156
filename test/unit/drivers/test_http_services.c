/* The HTTP driver: services that are out of order, and what waits for them. Time is the test's own clock; nothing is said to
 * have not been sent before the driver has answered something that came later. */
#include <stdlib.h>
#include "http_fixture.h"

static const pw_breaker_settings two_of_two = { 2, 2, 30000, 60000 };

static void start(fixture *f, uint64_t visit)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/%llu", (unsigned long long)visit);
    pw_http_start(f->http, new_call(visit, "GET", service_url(f->service, path)));
}

static void start_to(fixture *f, uint64_t visit, const char *path)
{
    pw_http_start(f->http, new_call(visit, "GET", service_url(f->service, path)));
}

static pw_str name_of(fixture *f)
{
    static char name[64];
    (void)snprintf(name, sizeof name, "http://127.0.0.1:%d", service_port(f->service));
    return pw_str_of(name);
}

static pw_http_service named(fixture *f, pw_str name)
{
    pw_arena arena;
    pw_http_service *list, found = { 0 };
    size_t count;
    pawl_error err;
    static char error[256];
    pw_arena_init(&arena, 0);
    EXPECT_OK(pw_http_services(f->http, &list, &count, &arena, &err), err);
    for (size_t i = 0; i < count; i++)
        if (pw_str_eq(list[i].service, name)) {
            found = list[i];
            (void)snprintf(error, sizeof error, PW_FMT, PW_ARG(found.last_error));
            found.service = name;
            found.last_error = pw_str_of(error);
        }
    for (size_t i = 1; i < count; i++)
        EXPECT(pw_str_cmp(list[i - 1].service, list[i].service) < 0);
    pw_arena_done(&arena);
    return found;
}

static pw_http_service service_of(fixture *f)
{
    return named(f, name_of(f));
}

static pw_http_place place_of(fixture *f, uint64_t visit)
{
    pw_arena arena;
    pw_http_place place;
    pw_arena_init(&arena, 0);
    EXPECT(pw_http_look(f->http, PW_LIT("order-1"), visit, &place, &arena));
    EXPECT(pw_str_eq(place.service, name_of(f)));
    place.service = name_of(f);
    pw_arena_done(&arena);
    return place;
}

/* Two calls that fail: the breaker is open, until 1,060,000 if the clock was not moved. */
static void trip(fixture *f)
{
    service_on(f->service, "/fails", (service_answer){ .status = 500 });
    EXPECT_INT(send_one(f, to(f, "GET", "/fails"))->status, 500);
    EXPECT_INT(service_of(f).state, PW_BREAKER_CLOSED);
    EXPECT_INT(send_one(f, to(f, "GET", "/fails"))->status, 500);
    EXPECT_INT(service_of(f).state, PW_BREAKER_OPEN);
    EXPECT_INT(service_requests(f->service), 2);
}

/* ------------------------------------------------------------------ the breaker */

TEST(services, no_request_reaches_a_service_whose_breaker_is_open)
{
    fixture *f = open_at_rest((pw_http_options){ .breaker = two_of_two });
    trip(f);
    pw_http_service s = service_of(f);
    EXPECT_INT(s.open_until_ms, 1060000);
    EXPECT_INT(s.sent, 2);
    EXPECT_INT(s.failed, 2);
    EXPECT_STR(s.last_error, "answered with status 500");
    for (uint64_t visit = 1; visit <= 20; visit++)
        start(f, visit);
    move_clock(f, 59999);
    fence(f);
    EXPECT_INT(service_requests(f->service), 2);
    EXPECT_INT(service_connections(f->service), 1);
    EXPECT_INT(service_of(f).waiting, 20);
    EXPECT_INT(service_of(f).active, 0);
    pw_http_place place = place_of(f, 20);
    EXPECT_INT(place.where, PW_HTTP_HELD);
    EXPECT_INT(place.state, PW_BREAKER_OPEN);
    EXPECT_INT(place.until_ms, 1060000);
    close_all(f);
}

TEST(services, when_its_time_is_over_one_probe_goes_and_its_success_lets_the_others_go_at_a_ramp)
{
    fixture *f = open_at_rest((pw_http_options){ .breaker = two_of_two });
    trip(f);
    for (uint64_t visit = 1; visit <= 40; visit++) {
        char path[32];
        (void)snprintf(path, sizeof path, "/%u", (unsigned)visit);
        service_on(f->service, path, (service_answer){ .hold = true });
        start(f, visit);
    }
    fence(f);
    move_clock(f, 60000);
    service_wait_held(f->service, 1);
    fence(f);
    EXPECT_INT(service_requests(f->service), 3);
    EXPECT_INT(service_of(f).state, PW_BREAKER_HALF_OPEN);
    EXPECT_INT(place_of(f, 1).where, PW_HTTP_SENT);
    EXPECT_INT(place_of(f, 2).where, PW_HTTP_HELD);
    EXPECT_INT(place_of(f, 2).until_ms, -1);
    for (unsigned ended = 1; ended <= 10; ended++) { /* each lets two go: its own place, and one more */
        service_release(f->service, 1);
        service_wait_requests(f->service, 3 + 2 * ended - 1);
        service_wait_held(f->service, ended);
        fence(f);
        EXPECT_INT(service_requests(f->service), 3 + 2 * ended - 1);
        EXPECT_INT(service_of(f).active, ended);
    }
    EXPECT_INT(service_of(f).state, PW_BREAKER_CLOSED);
    service_release(f->service, 30);
    wait_done(f, 2 + 40);
    close_all(f);
}

TEST(services, a_probe_that_fails_opens_it_again)
{
    fixture *f = open_at_rest((pw_http_options){ .breaker = two_of_two });
    trip(f);
    start_to(f, 1, "/fails");
    start_to(f, 2, "/fails");
    move_clock(f, 60000);
    wait_done(f, 3);
    fence(f);
    EXPECT_INT(service_requests(f->service), 3);
    EXPECT_INT(service_of(f).state, PW_BREAKER_OPEN);
    EXPECT_INT(service_of(f).open_until_ms, 1120000);
    move_clock(f, 59999);
    fence(f);
    EXPECT_INT(service_requests(f->service), 3);
    move_clock(f, 1);
    service_wait_requests(f->service, 4);
    close_all(f);
}

TEST(services, a_thousand_that_waited_are_sent_in_order_after_the_close)
{
    fixture *f = open_at_rest((pw_http_options){ .breaker = two_of_two, .per_host = 1 });
    trip(f);
    for (uint64_t visit = 0; visit < 1000; visit++)
        start(f, visit);
    fence(f);
    unsigned before = done_count(f);
    EXPECT_INT(service_requests(f->service), 2);
    move_clock(f, 60000);
    wait_done(f, before + 1000);
    for (unsigned i = 0; i < 1000; i++) {
        EXPECT_INT(f->done[before + i]->visit, i);
        EXPECT_INT(atol(service_request_at(f->service, 2 + i)->path + 1), i);
    }
    close_all(f);
}

TEST(services, the_driver_wakes_by_itself_when_the_time_is_over)
{
    fixture *f = open_with((pw_http_options){ .breaker = { 2, 2, 30000, 50 } }); /* by the system's clock */
    trip(f);
    start(f, 1);
    wait_done(f, 3);
    EXPECT_INT(service_requests(f->service), 3);
    close_all(f);
}

TEST(services, only_what_the_service_is_to_blame_for_opens_its_breaker)
{
    static const int innocent[] = { 200, 302, 400, 401, 403, 404, 409, 422 };
    static const int guilty[] = { 408, 429, 500, 502, 503, 504 };
    fixture *f = open_at_rest((pw_http_options){ .breaker = { 1, 1, 30000, 60000 } });
    for (size_t i = 0; i < PW_LENGTH(innocent); i++)
        service_on(f->service, "/", (service_answer){ .status = innocent[i], .times = 1 });
    for (size_t i = 0; i < PW_LENGTH(innocent); i++)
        EXPECT_INT(send_one(f, to(f, "GET", "/"))->status, innocent[i]);
    EXPECT_INT(service_of(f).failed, 0);
    EXPECT_INT(service_of(f).state, PW_BREAKER_CLOSED);
    for (size_t i = 0; i < PW_LENGTH(guilty); i++) {
        service_on(f->service, "/guilty", (service_answer){ .status = guilty[i], .times = 1 });
        EXPECT_INT(send_one(f, to(f, "GET", "/guilty"))->status, guilty[i]);
        EXPECT_INT(service_of(f).state, PW_BREAKER_OPEN);
        EXPECT_INT(service_of(f).failed, i + 1);
        move_clock(f, 60000);
    }
    close_all(f);
}

TEST(services, what_was_never_asked_of_a_service_does_not_count)
{
    fixture *f = open_at_rest((pw_http_options){ .breaker = { 1, 1, 30000, 60000 }, .egress_allow = "private" });
    const pw_call_result *result = send_one(f, to(f, "GET", "/"));
    EXPECT_INT(result->class_, PW_CLASS_FORBIDDEN);
    EXPECT_INT(service_of(f).sent, 1);
    EXPECT_INT(service_of(f).failed, 0);
    EXPECT_INT(service_of(f).calls, 0);
    EXPECT_INT(service_of(f).state, PW_BREAKER_CLOSED);
    close_all(f);
}

TEST(services, timeouts_and_refused_connections_open_it)
{
    fixture *f = open_at_rest((pw_http_options){ .breaker = two_of_two });
    int dead = service_dead_port();
    char uri[64];
    (void)snprintf(uri, sizeof uri, "http://127.0.0.1:%d/", dead);
    (void)send_one(f, new_call(1, "GET", uri));
    (void)send_one(f, new_call(2, "GET", uri));
    uri[strlen(uri) - 1] = '\0';
    EXPECT_INT(named(f, pw_str_of(uri)).state, PW_BREAKER_OPEN);
    EXPECT_CONTAINS(named(f, pw_str_of(uri)).last_error.ptr, "connection refused by 127.0.0.1:");
    service_on(f->service, "/never", (service_answer){ .hold = true });
    for (int i = 0; i < 2; i++) {
        pw_http_call *call = to(f, "GET", "/never");
        call->timeout_ms = 50;
        EXPECT_INT(send_one(f, call)->class_, PW_CLASS_TIMEOUT);
    }
    EXPECT_INT(service_of(f).state, PW_BREAKER_OPEN);
    close_all(f);
}

TEST(services, the_settings_of_the_call_judge_it)
{
    fixture *f = open_at_rest((pw_http_options){ 0 }); /* five of ten */
    service_on(f->service, "/fails", (service_answer){ .status = 500 });
    for (int i = 0; i < 9; i++)
        (void)send_one(f, to(f, "GET", "/fails"));
    EXPECT_INT(service_of(f).state, PW_BREAKER_CLOSED);
    EXPECT_INT(service_of(f).calls, 9);
    EXPECT_INT(service_of(f).failures, 9);
    pw_http_call *call = to(f, "GET", "/fails");
    call->breaker = (pw_breaker_settings){ .throughput = 3, .break_ms = 5000 };
    (void)send_one(f, call);
    EXPECT_INT(service_of(f).state, PW_BREAKER_OPEN);
    EXPECT_INT(service_of(f).open_until_ms, 1005000);
    close_all(f);
}

TEST(services, a_service_is_known_by_scheme_host_and_port_or_by_its_name)
{
    fixture *f = open_at_rest((pw_http_options){ .breaker = two_of_two });
    service *other = service_new();
    service_on(other, "/", (service_answer){ .body = "other" });
    trip(f);
    EXPECT_STR(send_one(f, new_call(2, "GET", service_url(other, "/")))->body, "other"); /* the port is another */
    char upper[64];
    (void)snprintf(upper, sizeof upper, "HTTP://127.0.0.1:%d/x", service_port(f->service));
    pw_http_start(f->http, new_call(3, "GET", upper)); /* the same */
    fence(f);
    EXPECT_INT(place_of(f, 3).where, PW_HTTP_HELD);
    char lower[64]; /* a name in capitals is the same, too */
    (void)snprintf(lower, sizeof lower, "http://localhost:%d", service_port(f->service));
    (void)snprintf(upper, sizeof upper, "http://LOCALHOST:%d/fails", service_port(f->service));
    (void)send_one(f, new_call(5, "GET", upper));
    EXPECT_INT(named(f, pw_str_of(lower)).failed, 1);
    pw_http_call *call = to(f, "GET", "/fails"); /* under a name it is another */
    call->service = PW_LIT("shop");
    EXPECT_INT(send_one(f, call)->status, 500);
    call = new_call(4, "GET", with_port("http://127.0.0.1:%d/", service_dead_port()));
    call->service = PW_LIT("shop"); /* one name, two places */
    (void)send_one(f, call);
    EXPECT_INT(named(f, PW_LIT("shop")).state, PW_BREAKER_OPEN);
    service_free(other);
    close_all(f);
}

TEST(services, what_is_open_leaves_others_alone)
{
    fixture *f = open_at_rest((pw_http_options){ .breaker = two_of_two, .in_flight = 2 });
    service *other = service_new();
    service_on(other, "/", (service_answer){ .body = "other" });
    trip(f);
    for (uint64_t visit = 1; visit <= 100; visit++)
        start(f, visit);
    for (uint64_t visit = 101; visit <= 150; visit++)
        EXPECT_STR(send_one(f, new_call(visit, "GET", service_url(other, "/")))->body, "other");
    EXPECT_INT(service_requests(f->service), 2);
    EXPECT_INT(service_requests(other), 50);
    service_free(other);
    close_all(f);
}

TEST(services, slow_services_leave_places_for_those_with_nothing_under_way)
{
    enum { SLOW = 4 };
    fixture *f = open_at_rest((pw_http_options){ .in_flight = 16, .per_host = 4 });
    service *slow[SLOW];
    for (unsigned i = 0; i < SLOW; i++) {
        slow[i] = service_new();
        service_on(slow[i], "/", (service_answer){ .hold = true });
        for (uint64_t visit = 0; visit < 10; visit++)
            pw_http_start(f->http, new_call(100 * i + visit, "GET", service_url(slow[i], "/")));
    }
    fence(f); /* answered beside them: two of sixteen places are kept */
    unsigned sent = 0;
    for (unsigned i = 0; i < SLOW; i++)
        sent += service_requests(slow[i]);
    EXPECT(sent <= 14);
    service_on(f->service, "/", (service_answer){ .body = "fast" });
    for (uint64_t visit = 1000; visit < 1020; visit++)
        EXPECT_STR(send_one(f, new_call(visit, "GET", service_url(f->service, "/")))->body, "fast");
    for (unsigned i = 0; i < SLOW; i++)
        service_release(slow[i], 10);
    wait_done(f, 2 + 20 + 10 * SLOW);
    for (unsigned i = 0; i < SLOW; i++) {
        EXPECT_INT(service_requests(slow[i]), 10);
        EXPECT(service_at_once_max(slow[i]) <= 4);
        service_free(slow[i]);
    }
    close_all(f);
}

/* ------------------------------------------------------------------ places and rates */

TEST(services, a_bulkhead_limits_what_is_under_way_at_once)
{
    fixture *f = open_at_rest((pw_http_options){ .per_host = 8 });
    service_on(f->service, "/", (service_answer){ .hold = true });
    for (uint64_t visit = 1; visit <= 12; visit++) {
        pw_http_call *call = new_call(visit, "GET", service_url(f->service, "/"));
        call->at_once = 3;
        pw_http_start(f->http, call);
    }
    service_wait_held(f->service, 3);
    fence(f);
    EXPECT_INT(service_requests(f->service), 3);
    EXPECT_INT(service_of(f).active, 3);
    EXPECT_INT(service_of(f).waiting, 9);
    EXPECT_INT(place_of(f, 3).where, PW_HTTP_SENT);
    EXPECT_INT(place_of(f, 4).where, PW_HTTP_QUEUED);
    EXPECT_INT(place_of(f, 4).until_ms, -1);
    service_release(f->service, 12);
    wait_done(f, 12 + 2);
    EXPECT_INT(service_at_once_max(f->service), 3);
    close_all(f);
}

TEST(services, a_cancelled_call_gives_its_place_back)
{
    fixture *f = open_at_rest((pw_http_options){ .per_host = 1 });
    service_on(f->service, "/1", (service_answer){ .hold = true });
    service_on(f->service, "/2", (service_answer){ .body = "second" });
    start(f, 1);
    service_wait_held(f->service, 1);
    start(f, 2);
    pw_http_cancel(f->http, PW_LIT("order-1"), 1);
    wait_done(f, 2);
    EXPECT(f->done[0]->cancelled);
    EXPECT_STR(f->done[1]->result.body, "second");
    close_all(f);
}

TEST(services, a_rate_is_kept_by_the_clock)
{
    fixture *f = open_at_rest((pw_http_options){ .per_second = 2 });
    service_on(f->service, "/", (service_answer){ .body = "ok" });
    for (uint64_t visit = 1; visit <= 6; visit++)
        start_to(f, visit, "/");
    wait_done(f, 2); /* a second's worth */
    fence(f);
    EXPECT_INT(service_requests(f->service), 2);
    EXPECT_INT(place_of(f, 3).where, PW_HTTP_HELD);
    EXPECT_INT(place_of(f, 3).until_ms, 1000500);
    move_clock(f, 499);
    fence(f);
    EXPECT_INT(service_requests(f->service), 2);
    move_clock(f, 1);
    service_wait_requests(f->service, 3);
    fence(f);
    EXPECT_INT(service_requests(f->service), 3);
    move_clock(f, 1000);
    service_wait_requests(f->service, 5);
    fence(f);
    EXPECT_INT(service_requests(f->service), 5);
    move_clock(f, 500);
    service_wait_requests(f->service, 6);
    close_all(f);
}

TEST(services, the_rate_of_the_call_goes_before_the_drivers)
{
    fixture *f = open_at_rest((pw_http_options){ .per_second = 100 });
    service_on(f->service, "/", (service_answer){ .body = "ok" });
    for (uint64_t visit = 1; visit <= 3; visit++) {
        pw_http_call *call = new_call(visit, "GET", service_url(f->service, "/"));
        call->per_second = 0.5;
        pw_http_start(f->http, call);
    }
    wait_done(f, 1);
    fence(f);
    EXPECT_INT(service_requests(f->service), 1);
    EXPECT_INT(place_of(f, 2).until_ms, 1002000);
    move_clock(f, 2000);
    service_wait_requests(f->service, 2);
    close_all(f);
}

TEST(services, a_clock_that_goes_back_makes_nobody_wait_so_much_longer)
{
    fixture *f = open_at_rest((pw_http_options){ .per_second = 1 });
    service_on(f->service, "/", (service_answer){ .body = "ok" });
    start_to(f, 1, "/");
    start_to(f, 2, "/");
    wait_done(f, 1);
    fence(f);
    EXPECT_INT(place_of(f, 2).until_ms, 1001000);
    move_clock(f, -900000);
    fence(f);
    EXPECT_INT(place_of(f, 2).until_ms, 101000);
    move_clock(f, 1000);
    service_wait_requests(f->service, 2);
    close_all(f);
}

/* ------------------------------------------------------------------ cancel and free */

TEST(services, calls_that_wait_for_a_breaker_are_cancelled)
{
    fixture *f = open_at_rest((pw_http_options){ .breaker = two_of_two });
    trip(f);
    for (uint64_t visit = 1; visit <= 3; visit++)
        start(f, visit);
    fence(f);
    unsigned before = done_count(f);
    pw_http_cancel(f->http, PW_LIT("order-1"), 2);
    wait_done(f, before + 1);
    pw_http_cancel(f->http, PW_LIT("order-1"), 1);
    wait_done(f, before + 2);
    EXPECT_INT(f->done[before]->visit, 2);
    EXPECT(f->done[before]->cancelled);
    EXPECT(f->done[before]->result.unsent);
    EXPECT_INT(f->done[before + 1]->visit, 1);
    EXPECT_INT(service_of(f).waiting, 1);
    move_clock(f, 60000);
    wait_done(f, before + 3);
    EXPECT_TEXT(service_request_at(f->service, 2)->path, "/3");
    close_all(f);
}

TEST(services, the_probe_is_cancelled_and_the_next_call_is_the_probe)
{
    fixture *f = open_at_rest((pw_http_options){ .breaker = two_of_two });
    service_on(f->service, "/1", (service_answer){ .hold = true });
    service_on(f->service, "/2", (service_answer){ .hold = true });
    trip(f);
    for (uint64_t visit = 1; visit <= 3; visit++)
        start(f, visit);
    move_clock(f, 60000);
    service_wait_held(f->service, 1);
    pw_http_cancel(f->http, PW_LIT("order-1"), 1);
    service_wait_requests(f->service, 4);
    fence(f);
    EXPECT_INT(service_requests(f->service), 4);
    EXPECT_INT(service_of(f).state, PW_BREAKER_HALF_OPEN);
    EXPECT_TEXT(service_request_at(f->service, 3)->path, "/2");
    close_all(f);
}

TEST(services, free_gives_back_what_waits_for_a_breaker)
{
    fixture *f = open_at_rest((pw_http_options){ .breaker = two_of_two });
    trip(f);
    for (uint64_t visit = 1; visit <= 2000; visit++)
        start(f, visit);
    pw_http_free(f->http);
    f->http = NULL;
    EXPECT_INT(f->count, 2002);
    for (unsigned i = 2; i < 2002; i++)
        EXPECT(f->done[i]->cancelled);
    close_all(f);
}

/* ------------------------------------------------------------------ who does not wait */

static pw_http_call *hasty(fixture *f, uint64_t visit)
{
    pw_http_call *call = new_call(visit, "GET", service_url(f->service, "/hasty"));
    call->fail_when_open = true;
    return call;
}

TEST(services, a_call_that_does_not_wait_fails_while_it_is_open)
{
    fixture *f = open_at_rest((pw_http_options){ .breaker = two_of_two });
    trip(f);
    start(f, 1);
    const pw_call_result *result = send_one(f, hasty(f, 2));
    EXPECT(!result->answered);
    EXPECT_INT(result->class_, PW_CLASS_OPEN);
    EXPECT(result->unsent);
    EXPECT_STR(result->error, with_port("the circuit breaker of http://127.0.0.1:%d is open for another 60 s",
                                        service_port(f->service)));
    EXPECT_INT(service_of(f).refused, 1);
    EXPECT_INT(service_of(f).waiting, 1);
    EXPECT_INT(service_requests(f->service), 2);
    EXPECT_INT(service_of(f).failed, 2);
    close_all(f);
}

TEST(services, those_in_the_queue_that_do_not_wait_fail_when_it_opens)
{
    fixture *f = open_at_rest((pw_http_options){ .breaker = two_of_two, .per_host = 1 });
    service_on(f->service, "/1", (service_answer){ .status = 500, .hold = true });
    service_on(f->service, "/2", (service_answer){ .status = 500, .hold = true });
    start(f, 1);
    start(f, 2);
    pw_http_start(f->http, hasty(f, 3));
    start(f, 4);
    pw_http_start(f->http, hasty(f, 5));
    service_wait_held(f->service, 1);
    service_release(f->service, 2);
    wait_done(f, 4);
    EXPECT_INT(f->done[2]->visit, 3);
    EXPECT_INT(f->done[2]->result.class_, PW_CLASS_OPEN);
    EXPECT_INT(f->done[3]->visit, 5);
    EXPECT_INT(f->done[3]->result.class_, PW_CLASS_OPEN);
    EXPECT_INT(service_of(f).waiting, 1);
    EXPECT_INT(service_requests(f->service), 2);
    close_all(f);
}

TEST(services, the_first_that_does_not_wait_is_the_probe_when_it_is_time_for_one)
{
    fixture *f = open_at_rest((pw_http_options){ .breaker = two_of_two });
    trip(f);
    service_on(f->service, "/hasty", (service_answer){ .body = "ok", .hold = true });
    move_clock(f, 60000);
    pw_http_start(f->http, hasty(f, 1));
    service_wait_held(f->service, 1);
    const pw_call_result *result = send_one(f, hasty(f, 2)); /* one probe at a time */
    EXPECT_INT(result->class_, PW_CLASS_OPEN);
    EXPECT_STR(result->error, with_port("the circuit breaker of http://127.0.0.1:%d is open", service_port(f->service)));
    service_release(f->service, 1);
    wait_done(f, 4);
    EXPECT_STR(f->done[3]->result.body, "ok");
    EXPECT_INT(service_of(f).state, PW_BREAKER_CLOSED);
    service_release(f->service, 1);
    EXPECT_STR(send_one(f, hasty(f, 3))->body, "ok");
    close_all(f);
}

/* ------------------------------------------------------------------ records */

static struct {
    pthread_mutex_t lock;
    unsigned count;
    struct {
        pw_breaker_state state;
        int64_t open_until_ms;
        char service[64], reason[300];
    } wishes[32];
} heard = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void hear(void *context, const pw_breaker_record *want)
{
    fixture *f = context;
    (void)pthread_mutex_lock(&heard.lock);
    if (heard.count < PW_LENGTH(heard.wishes)) {
        heard.wishes[heard.count].state = want->state;
        heard.wishes[heard.count].open_until_ms = want->open_until_ms;
        (void)snprintf(heard.wishes[heard.count].service, 64, PW_FMT, PW_ARG(want->service));
        (void)snprintf(heard.wishes[heard.count].reason, 300, PW_FMT, PW_ARG(want->reason));
    }
    heard.count++;
    (void)pthread_mutex_unlock(&heard.lock);
    (void)f;
}

static unsigned wishes(void)
{
    (void)pthread_mutex_lock(&heard.lock);
    unsigned count = heard.count;
    (void)pthread_mutex_unlock(&heard.lock);
    return count;
}

static fixture *open_heard(pw_http_options options)
{
    fixture *f = open_at_rest(options);
    heard.count = 0;
    pw_http_on_breaker(f->http, hear);
    return f;
}

static void told(fixture *f, pw_breaker_record record, bool ours)
{
    pawl_error err;
    record.service = name_of(f);
    EXPECT_OK(pw_http_breaker_told(f->http, &record, ours, &err), err);
}

static void told_half_open(fixture *f, uint64_t epoch, int64_t until_ms, bool ours)
{
    told(f, (pw_breaker_record){ .state = PW_BREAKER_HALF_OPEN, .epoch = epoch, .open_until_ms = -1, .probe_until_ms = until_ms,
                                 .changed_ms = until_ms - 120000 }, ours);
}

static void told_closed(fixture *f, uint64_t epoch)
{
    told(f, (pw_breaker_record){ .state = PW_BREAKER_CLOSED, .epoch = epoch, .open_until_ms = -1, .probe_until_ms = -1 }, false);
}

static void told_forced(fixture *f, uint64_t epoch, pw_breaker_force forced)
{
    told(f, (pw_breaker_record){ .state = PW_BREAKER_CLOSED, .epoch = epoch, .open_until_ms = -1, .probe_until_ms = -1,
                                 .forced = forced }, false);
}

TEST(services, opening_the_probe_and_closing_are_wished_and_the_probe_waits_to_be_told)
{
    fixture *f = open_heard((pw_http_options){ .breaker = two_of_two });
    trip(f);
    EXPECT_INT(wishes(), 1);
    EXPECT_INT(heard.wishes[0].state, PW_BREAKER_OPEN);
    EXPECT_INT(heard.wishes[0].open_until_ms, 1060000);
    EXPECT_TEXT(heard.wishes[0].service, name_of(f).ptr);
    EXPECT_TEXT(heard.wishes[0].reason, "at least 2 of at least 2 calls failed within 30000 ms; the last: answered with status 500");
    start(f, 1);
    start(f, 2);
    move_clock(f, 60000);
    fence(f);
    EXPECT_INT(wishes(), 2);
    EXPECT_INT(heard.wishes[1].state, PW_BREAKER_HALF_OPEN);
    EXPECT_INT(service_requests(f->service), 2); /* not before it is told */
    unsigned before = done_count(f);
    told_half_open(f, 2, 1180000, true);
    wait_done(f, before + 2); /* the probe, and then the other */
    EXPECT_INT(wishes(), 3);
    EXPECT_INT(heard.wishes[2].state, PW_BREAKER_CLOSED);
    EXPECT_TEXT(heard.wishes[2].reason, "the probe went well");
    EXPECT_INT(service_of(f).state, PW_BREAKER_CLOSED);
    EXPECT_INT(service_requests(f->service), 4);
    close_all(f);
}

TEST(services, a_probe_that_fails_is_wished_open)
{
    fixture *f = open_heard((pw_http_options){ .breaker = two_of_two });
    trip(f);
    start_to(f, 1, "/fails");
    move_clock(f, 60000);
    fence(f);
    unsigned before = done_count(f);
    told_half_open(f, 2, 1180000, true);
    wait_done(f, before + 1);
    EXPECT_INT(wishes(), 3);
    EXPECT_INT(heard.wishes[2].state, PW_BREAKER_OPEN);
    EXPECT_INT(heard.wishes[2].open_until_ms, 1120000);
    EXPECT_TEXT(heard.wishes[2].reason, "the probe failed: answered with status 500");
    close_all(f);
}

TEST(services, the_probe_of_another_node_is_waited_for_and_asked_for_again_when_its_lease_is_over)
{
    fixture *f = open_heard((pw_http_options){ .breaker = two_of_two });
    trip(f);
    start(f, 1);
    move_clock(f, 60000);
    fence(f);
    EXPECT_INT(wishes(), 2);
    told_half_open(f, 2, 1180000, false);
    EXPECT_INT(send_one(f, hasty(f, 7))->class_, PW_CLASS_OPEN);
    move_clock(f, 119999);
    fence(f);
    EXPECT_INT(service_requests(f->service), 2);
    EXPECT_INT(wishes(), 2);
    EXPECT_INT(place_of(f, 1).until_ms, 1180000);
    move_clock(f, 1);
    fence(f);
    EXPECT_INT(wishes(), 3);
    EXPECT_INT(heard.wishes[2].state, PW_BREAKER_HALF_OPEN);
    told_closed(f, 3); /* it went well there, after all */
    service_wait_requests(f->service, 3);
    close_all(f);
}

TEST(services, a_wish_for_the_probe_that_nobody_answers_is_wished_again)
{
    fixture *f = open_heard((pw_http_options){ .breaker = two_of_two });
    trip(f);
    start(f, 1);
    move_clock(f, 60000);
    fence(f);
    EXPECT_INT(send_one(f, hasty(f, 2))->class_, PW_CLASS_OPEN);
    move_clock(f, 9999);
    fence(f);
    EXPECT_INT(wishes(), 2);
    move_clock(f, 1);
    fence(f);
    EXPECT_INT(wishes(), 3);
    EXPECT_INT(heard.wishes[2].state, PW_BREAKER_HALF_OPEN);
    EXPECT_INT(service_requests(f->service), 2);
    close_all(f);
}

TEST(services, a_cancelled_probe_that_was_ours_stays_ours)
{
    fixture *f = open_heard((pw_http_options){ .breaker = two_of_two });
    service_on(f->service, "/1", (service_answer){ .hold = true });
    trip(f);
    start(f, 1);
    move_clock(f, 60000);
    fence(f);
    told_half_open(f, 2, 1180000, true);
    service_wait_held(f->service, 1);
    pw_http_cancel(f->http, PW_LIT("order-1"), 1);
    fence(f);
    start(f, 2);
    service_wait_requests(f->service, 4);
    EXPECT_TEXT(service_request_at(f->service, 3)->path, "/2");
    EXPECT_INT(heard.wishes[wishes() - 1].state == PW_BREAKER_OPEN, false);
    close_all(f);
}

TEST(services, what_is_forced_open_sends_nothing_and_nobody_probes_it)
{
    fixture *f = open_heard((pw_http_options){ .breaker = two_of_two });
    told_forced(f, 1, PW_BREAKER_FORCED_OPEN); /* before any call went there */
    EXPECT_INT(service_of(f).forced, PW_BREAKER_FORCED_OPEN);
    start(f, 1);
    EXPECT_INT(send_one(f, hasty(f, 2))->class_, PW_CLASS_OPEN);
    move_clock(f, 86400000);
    fence(f);
    EXPECT_INT(service_requests(f->service), 0);
    EXPECT_INT(wishes(), 0);
    told_forced(f, 2, PW_BREAKER_AUTO);
    service_wait_requests(f->service, 1);
    close_all(f);
}

TEST(services, what_is_forced_closed_sends_although_all_fails)
{
    fixture *f = open_heard((pw_http_options){ .breaker = two_of_two });
    trip(f);
    start_to(f, 1, "/fails");
    told_forced(f, 2, PW_BREAKER_FORCED_CLOSED);
    wait_done(f, 3);
    for (int i = 0; i < 10; i++)
        EXPECT_INT(send_one(f, to(f, "GET", "/fails"))->status, 500);
    EXPECT_INT(send_one(f, hasty(f, 2))->status, 404); /* nobody has to wait */
    EXPECT_INT(wishes(), 1);
    told_forced(f, 3, PW_BREAKER_AUTO);
    (void)send_one(f, to(f, "GET", "/fails"));
    (void)send_one(f, to(f, "GET", "/fails"));
    EXPECT_INT(service_of(f).state, PW_BREAKER_OPEN);
    close_all(f);
}

TEST(services, a_record_that_is_older_than_what_was_told_changes_nothing)
{
    fixture *f = open_heard((pw_http_options){ .breaker = two_of_two });
    told_forced(f, 7, PW_BREAKER_FORCED_OPEN);
    told_forced(f, 6, PW_BREAKER_AUTO);
    told_forced(f, 7, PW_BREAKER_AUTO);
    EXPECT_INT(service_of(f).forced, PW_BREAKER_FORCED_OPEN);
    told_forced(f, 8, PW_BREAKER_AUTO);
    EXPECT_INT(service_of(f).forced, PW_BREAKER_AUTO);
    close_all(f);
}

TEST(services, what_another_node_has_opened_is_open_here)
{
    fixture *f = open_heard((pw_http_options){ .breaker = two_of_two });
    told(f, (pw_breaker_record){ .state = PW_BREAKER_OPEN, .epoch = 1, .open_until_ms = 1030000, .probe_until_ms = -1,
                                 .changed_ms = 970000 }, false);
    start(f, 1);
    fence(f);
    EXPECT_INT(service_requests(f->service), 0);
    EXPECT_INT(service_of(f).open_until_ms, 1030000);
    told_closed(f, 3);
    service_wait_requests(f->service, 1);
    close_all(f);
}

/* ------------------------------------------------------------------ bounds */

static size_t count_services(fixture *f)
{
    pw_arena arena;
    pw_http_service *list;
    size_t count;
    pawl_error err;
    pw_arena_init(&arena, 0);
    EXPECT_OK(pw_http_services(f->http, &list, &count, &arena, &err), err);
    pw_arena_done(&arena);
    return count;
}

TEST(services, a_closed_breaker_of_a_service_that_nobody_calls_is_not_remembered)
{
    fixture *f = open_heard((pw_http_options){ 0 });
    told_closed(f, 1);
    EXPECT_INT(count_services(f), 0);
    told_forced(f, 2, PW_BREAKER_FORCED_CLOSED);
    EXPECT_INT(count_services(f), 1);
    close_all(f);
}

TEST(services, those_that_nobody_calls_are_forgotten_unless_they_are_open_or_forced)
{
    fixture *f = open_at_rest((pw_http_options){ .breaker = { 1, 1, 30000, 60000 } });
    service_on(f->service, "/", (service_answer){ .body = "ok" });
    service_on(f->service, "/fails", (service_answer){ .status = 500 });
    pw_http_call *open = to(f, "GET", "/fails");
    open->service = PW_LIT("open");
    (void)send_one(f, open);
    told_forced(f, 1, PW_BREAKER_FORCED_CLOSED);
    for (unsigned i = 0; i < 3; i++) {
        pw_http_call *call = to(f, "GET", "/");
        call->service = pw_arena_printf(&call->arena, "s%u", i);
        (void)send_one(f, call);
    }
    EXPECT_INT(count_services(f), 5);
    move_clock(f, 599999);
    fence(f);
    EXPECT_INT(count_services(f), 6);
    move_clock(f, 1);
    fence(f);
    EXPECT_INT(count_services(f), 3);
    EXPECT_INT(named(f, PW_LIT("open")).state, PW_BREAKER_OPEN);
    EXPECT_INT(service_of(f).forced, PW_BREAKER_FORCED_CLOSED);
    close_all(f);
}

TEST(services, of_those_that_are_closed_only_so_many_are_remembered)
{
    fixture *f = open_at_rest((pw_http_options){ .egress_allow = "private", .in_flight = 16 });
    for (unsigned i = 0; i < 4000; i++) {
        pw_http_call *call = to(f, "GET", "/");
        call->service = pw_arena_printf(&call->arena, "s%u", i);
        pw_http_start(f->http, call);
    }
    wait_done(f, 4000);
    EXPECT_INT(count_services(f), 4000);
    for (unsigned i = 0; i < f->count; i++)
        pw_http_call_free(f->done[i]);
    f->count = 0;
    for (unsigned i = 4000; i < 6000; i++) {
        pw_http_call *call = to(f, "GET", "/");
        call->service = pw_arena_printf(&call->arena, "s%u", i);
        pw_http_start(f->http, call);
    }
    wait_done(f, 2000);
    fence(f);
    size_t count = count_services(f);
    EXPECT(count == 4096 || count == 4097); /* the last is one more until the driver looks again */
    close_all(f);
}

TEST(services, running_out_of_memory_loses_no_call)
{
    for (uint64_t nth = 1; nth < 40; nth++) {
        fixture *f = open_at_rest((pw_http_options){ .breaker = two_of_two });
        service_on(f->service, "/", (service_answer){ .body = "ok" });
        pw_http_call *calls[3];
        for (unsigned i = 0; i < 3; i++) {
            calls[i] = new_call(i, "GET", service_url(f->service, "/"));
            calls[i]->service = pw_arena_printf(&calls[i]->arena, "s%u", i);
        }
        pw_alloc_fail_after(nth);
        for (unsigned i = 0; i < 3; i++)
            pw_http_start(f->http, calls[i]);
        wait_done(f, 3);
        pawl_error err;
        pw_breaker_record record = { .service = PW_LIT("new"), .forced = PW_BREAKER_FORCED_OPEN, .epoch = 1 };
        pawl_code code = pw_http_breaker_told(f->http, &record, false, &err);
        pw_alloc_fail_after(0);
        EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY);
        for (unsigned i = 0; i < 3; i++)
            if (!calls[i]->result.answered)
                EXPECT_STR(calls[i]->result.error, "out of memory");
        close_all(f);
    }
}

TEST_MAIN()
