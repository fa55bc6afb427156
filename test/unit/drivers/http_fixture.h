/* http_fixture.h - a driver, a service on loopback, and the calls that have come back. */
#ifndef PW_TEST_HTTP_FIXTURE_H
#define PW_TEST_HTTP_FIXTURE_H

#include <pthread.h>
#include "test.h"
#include "drivers/http.h"
#include "http/service.h"

enum { CALLS_MAX = 4096 };

typedef struct fixture {
    service *service, *other; /* other: of fence() */
    pw_http *http;
    pthread_mutex_t lock; /* guards the next three */
    pthread_cond_t changed;
    pw_http_call *done[CALLS_MAX];
    unsigned count;
    int64_t now_ms; /* of the clock, if it is the fixture's */
} fixture;

/* egress_allow NULL: loopback. */
fixture *open_with(pw_http_options options);
fixture *open_all(void);
/* The same with a clock that stands at 1,000,000 until it is moved. */
fixture *open_at_rest(pw_http_options options);
void move_clock(fixture *f, int64_t by_ms);
void close_all(fixture *f);
/* Another service answers: whatever was asked before, the driver has looked at, and done. */
void fence(fixture *f);
void on_done(void *fixture, pw_http_call *call);
void wait_done(fixture *f, unsigned count);
unsigned done_count(fixture *f);
pw_http_call *new_call(uint64_t visit, const char *method, const char *uri);
/* Visit 1, to the fixture's service. */
pw_http_call *to(fixture *f, const char *method, const char *path);
void add_header(pw_http_call *call, pw_str name, pw_str value);
/* Sends one call and waits for it. */
const pw_call_result *send_one(fixture *f, pw_http_call *call);
/* NULL: none. */
const char *header(const pw_call_result *result, const char *name);
const char *error_text(const pw_call_result *result);
/* The first %d becomes the port. */
const char *with_port(const char *format, int port);
#endif
