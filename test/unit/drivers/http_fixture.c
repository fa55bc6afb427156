/* http_fixture.c - see http_fixture.h. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include "http_fixture.h"

enum { WAIT_S = 60 };

void on_done(void *context, pw_http_call *call)
{
    fixture *f = context;
    (void)pthread_mutex_lock(&f->lock);
    if (f->count < CALLS_MAX)
        f->done[f->count] = call;
    f->count++;
    (void)pthread_cond_broadcast(&f->changed);
    (void)pthread_mutex_unlock(&f->lock);
}

fixture *open_with(pw_http_options options)
{
    pawl_error err;
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_cond_init(&f->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    f->service = service_new();
    f->now_ms = 1000000;
    options.clock = f;
    if (!options.egress_allow)
        options.egress_allow = "loopback";
    EXPECT_OK(pw_http_new(&f->http, &options, on_done, f, &err), err);
    return f;
}

static int64_t clock_ms(void *context)
{
    fixture *f = context;
    (void)pthread_mutex_lock(&f->lock);
    int64_t now_ms = f->now_ms;
    (void)pthread_mutex_unlock(&f->lock);
    return now_ms;
}

void move_clock(fixture *f, int64_t by_ms)
{
    (void)pthread_mutex_lock(&f->lock);
    f->now_ms += by_ms;
    (void)pthread_mutex_unlock(&f->lock);
    pw_http_wake(f->http);
}

fixture *open_at_rest(pw_http_options options)
{
    options.now_ms = clock_ms;
    return open_with(options);
}

fixture *open_all(void)
{
    return open_with((pw_http_options){ 0 });
}

void close_all(fixture *f)
{
    pw_http_free(f->http);
    service_free(f->service);
    service_free(f->other);
    for (unsigned i = 0; i < f->count; i++)
        pw_http_call_free(f->done[i]);
    (void)pthread_cond_destroy(&f->changed);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
}

/* Under the lock. */
static bool is_done(const fixture *f, const pw_http_call *call)
{
    for (unsigned i = 0; i < f->count && i < CALLS_MAX; i++)
        if (f->done[i] == call)
            return true;
    return false;
}

/* `call` NULL: until `count` are done; else until it is. */
static void wait_for(fixture *f, unsigned count, const pw_http_call *call)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WAIT_S;
    int code = 0;
    (void)pthread_mutex_lock(&f->lock);
    while ((call ? !is_done(f, call) : f->count < count) && code == 0)
        code = pthread_cond_timedwait(&f->changed, &f->lock, &until);
    unsigned have = f->count;
    (void)pthread_mutex_unlock(&f->lock);
    if (code != 0)
        fail_msg("%u of %u calls have come back after %d s", have, count, WAIT_S);
}

void wait_done(fixture *f, unsigned count)
{
    wait_for(f, count, NULL);
}

unsigned done_count(fixture *f)
{
    (void)pthread_mutex_lock(&f->lock);
    unsigned count = f->count;
    (void)pthread_mutex_unlock(&f->lock);
    return count;
}

pw_http_call *new_call(uint64_t visit, const char *method, const char *uri)
{
    pw_http_call *call = pw_http_call_new();
    assert_non_null(call);
    call->instance = PW_LIT("order-1");
    call->visit = visit;
    call->attempt = 1;
    call->request.method = pw_arena_str(&call->arena, pw_str_of(method));
    call->request.uri = pw_arena_str(&call->arena, pw_str_of(uri));
    return call;
}

pw_http_call *to(fixture *f, const char *method, const char *path)
{
    return new_call(1, method, service_url(f->service, path));
}

void add_header(pw_http_call *call, pw_str name, pw_str value)
{
    pw_header *headers = PW_NEW_ARRAY(&call->arena, pw_header, call->request.header_count + 1);
    if (call->request.header_count)
        memcpy(headers, call->request.headers, call->request.header_count * sizeof *headers);
    headers[call->request.header_count++] = (pw_header){ name, value };
    call->request.headers = headers;
}

const pw_call_result *send_one(fixture *f, pw_http_call *call)
{
    pw_http_start(f->http, call);
    wait_for(f, done_count(f) + 1, call);
    return &call->result;
}

const char *header(const pw_call_result *result, const char *name)
{
    static char value[1024];
    for (size_t i = 0; i < result->header_count; i++) {
        if (pw_str_is(result->headers[i].name, name)) {
            (void)snprintf(value, sizeof value, PW_FMT, PW_ARG(result->headers[i].value));
            return value;
        }
    }
    return NULL;
}

const char *error_text(const pw_call_result *result)
{
    static char text[1024];
    (void)snprintf(text, sizeof text, PW_FMT, PW_ARG(result->error));
    return text;
}

const char *with_port(const char *format, int port)
{
    static char text[1024];
    const char *at = strstr(format, "%d");
    (void)snprintf(text, sizeof text, "%.*s%d%s", (int)(at - format), format, port, at + 2);
    return text;
}


void fence(fixture *f)
{
    if (!f->other)
        f->other = service_new();
    for (int turn = 0; turn < 2; turn++) { /* what the first has caused is done before the second */
        pw_http_call *call = new_call(1000000, "GET", service_url(f->other, "/"));
        call->service = PW_LIT("fence");
        call->per_second = 1e6;
        (void)send_one(f, call);
    }
}
