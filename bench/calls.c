/* calls.c - what the HTTP driver costs: a call, and one that waits.
 *
 *     calls [--calls N] [--in-flight M] [--waiting N]
 *
 * The service is in this process: a thread for each connection that answers what it reads with 200. Time of the driver is
 * that of its thread alone (by its own CPU clock, read in the callback). Calls that wait are those of a service that is forced
 * open: they are started, a tenth of them is cancelled in an order of chance, and the driver is closed with the rest. */
#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "drivers/http.h"
#include "measure.h"

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"ok\":true}";

static void *serve(void *context)
{
    int fd = (int)(intptr_t)context;
    char buf[8192];
    size_t have = 0;
    for (ssize_t got; (got = recv(fd, buf + have, sizeof buf - have, 0)) > 0;) {
        have += (size_t)got;
        char *end = memmem(buf, have, "\r\n\r\n", 4);
        if (!end)
            continue;
        have = 0; /* no bodies, and none before the answer */
        if (send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0)
            break;
    }
    (void)close(fd);
    return NULL;
}

static void *listen_thread(void *context)
{
    int listener = (int)(intptr_t)context;
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
        pthread_t thread;
        int one = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd))
            die("no thread");
        (void)pthread_detach(thread);
    }
    return NULL;
}

static int open_service(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    pthread_t thread;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 1024) ||
        getsockname(fd, (struct sockaddr *)&address, &size) ||
        pthread_create(&thread, NULL, listen_thread, (void *)(intptr_t)fd))
        die("no service");
    (void)pthread_detach(thread);
    return ntohs(address.sin_port);
}

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned long done, wanted, failed;
    uint64_t first_ns, last_ns; /* of the driver's thread */
} state = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void on_done(void *context, pw_http_call *call)
{
    (void)context;
    (void)pthread_mutex_lock(&state.lock);
    if (!call->result.answered && !call->cancelled)
        state.failed++;
    if (state.done++ == 0)
        state.first_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    state.last_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    if (state.done == state.wanted)
        (void)pthread_cond_signal(&state.changed);
    (void)pthread_mutex_unlock(&state.lock);
    pw_http_call_free(call);
}

static void wait_done(void)
{
    (void)pthread_mutex_lock(&state.lock);
    while (state.done < state.wanted)
        (void)pthread_cond_wait(&state.changed, &state.lock);
    (void)pthread_mutex_unlock(&state.lock);
    if (state.failed)
        die("%lu calls have failed", state.failed);
}

static void want(unsigned long count)
{
    (void)pthread_mutex_lock(&state.lock);
    state.done = state.failed = 0;
    state.wanted = count;
    (void)pthread_mutex_unlock(&state.lock);
}

static void start(pw_http *http, unsigned long visit, const char *url)
{
    pw_http_call *call = must(pw_http_call_new());
    call->instance = pw_arena_str(&call->arena, PW_LIT("0198c1f2-7a11-7cc3-9f00-aabbccddeeff"));
    call->visit = visit;
    call->attempt = 1;
    call->key = pw_arena_str(&call->arena, PW_LIT("0123456789abcdef0123456789abcdef"));
    call->request.method = PW_LIT("GET");
    call->request.uri = pw_arena_str(&call->arena, pw_str_of(url));
    pw_http_start(http, call);
}

static pw_http *open_driver(unsigned in_flight)
{
    pw_http *http;
    pawl_error err;
    check(pw_http_new(&http, &(pw_http_options){ .in_flight = in_flight, .per_host = in_flight, .egress_allow = "loopback" }, on_done,
                      NULL, &err),
          &err);
    return http;
}

static void measure_calls(unsigned long count, unsigned in_flight, const char *url)
{
    pw_http *http = open_driver(in_flight);
    for (int round = 0; round < 6; round++) { /* the first opens the connections */
        want(count);
        uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);
        for (unsigned long i = 0; i < count; i++)
            start(http, i, url);
        wait_done();
        uint64_t wall_ns = clock_ns(CLOCK_MONOTONIC) - began_ns;
        if (round > 0)
            printf("%lu calls, %u at once: %.1f us of the driver's thread each; %.0f calls a second\n", count, in_flight,
                   (double)(state.last_ns - state.first_ns) / 1000 / (double)(count - 1), (double)count * 1e9 / (double)wall_ns);
    }
    pw_http_free(http);
}

#ifndef BEFORE
static uint32_t waiting_of(pw_http *http)
{
    pw_arena arena;
    pw_http_service *list;
    size_t count;
    pawl_error err;
    pw_arena_init(&arena, 0);
    check(pw_http_services(http, &list, &count, &arena, &err), &err);
    uint32_t waiting = count ? list[0].waiting : 0;
    pw_arena_done(&arena);
    return waiting;
}

static void measure_waiting(unsigned long count, const char *url, const char *service)
{
    pawl_error err;
    pw_http *http = open_driver(64);
    check(pw_http_breaker_told(http, &(pw_breaker_record){ .service = pw_str_of(service), .epoch = 1,
                                                           .forced = PW_BREAKER_FORCED_OPEN },
                               false, &err),
          &err);
    want(count);
    size_t heap = mallinfo2().uordblks;
    uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);
    for (unsigned long i = 0; i < count; i++)
        start(http, i, url);
    while (waiting_of(http) < count)
        (void)usleep(1000);
    uint64_t started_ns = clock_ns(CLOCK_MONOTONIC);
    heap = mallinfo2().uordblks - heap;
    for (unsigned long i = 0; i < count / 10; i++)
        pw_http_cancel(http, PW_LIT("0198c1f2-7a11-7cc3-9f00-aabbccddeeff"), i * 7919 % count);
    while (waiting_of(http) > count - count / 10)
        (void)usleep(1000);
    uint64_t cancelled_ns = clock_ns(CLOCK_MONOTONIC);
    pw_http_free(http);
    uint64_t freed_ns = clock_ns(CLOCK_MONOTONIC);
    printf("%lu calls of one service wait: %.0f bytes each; started in %.0f ms, a tenth cancelled in %.0f ms, closed in %.0f ms\n",
           count, (double)heap / (double)count, (double)(started_ns - began_ns) / 1e6, (double)(cancelled_ns - started_ns) / 1e6,
           (double)(freed_ns - cancelled_ns) / 1e6);
}
#endif

int main(int argc, char **argv)
{
    unsigned long calls = 50000, waiting = 100000;
    unsigned in_flight = 64;
    for (int i = 1; i + 1 < argc; i += 2) {
        unsigned long value = strtoul(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--calls") == 0)
            calls = value;
        else if (strcmp(argv[i], "--in-flight") == 0)
            in_flight = (unsigned)value;
        else if (strcmp(argv[i], "--waiting") == 0)
            waiting = value;
        else
            die("usage: calls [--calls N] [--in-flight M] [--waiting N]");
    }
    char service[64], url[128];
    (void)snprintf(service, sizeof service, "http://127.0.0.1:%d", open_service());
    (void)snprintf(url, sizeof url, "%s/orders/7", service);
    if (calls > 1)
        measure_calls(calls, in_flight, url);
#ifndef BEFORE
    if (waiting)
        measure_waiting(waiting, url, service);
#else
    (void)waiting;
#endif
    return 0;
}
