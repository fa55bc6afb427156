/* http.c - any bytes to a listener, over loopback, in pieces as the first byte says: it answers in
 * HTTP or not at all, the handler sees nothing that it should not, and when the connection has
 * ended nothing is left of it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "fuzz.h"
#include "server/exchange.h"

enum { WAIT_MS = 20000, BODY_MAX = 1000 };

static pw_listener *listener;
static in_port_t port;

static void look_at_header(void *context, pw_str name, pw_str value)
{
    size_t *count = context;
    (*count)++;
    FUZZ_CHECK(name.len > 0 && memchr(name.ptr, ' ', name.len) == NULL);
    FUZZ_CHECK(value.len == 0 || memchr(value.ptr, '\n', value.len) == NULL);
}

/* Answers with what it was given, as far as a header may carry it; /p parks first. */
static void handle(void *context, pw_exchange *x, pw_turn turn)
{
    (void)context;
    pw_str path = pw_exchange_path(x), body = pw_exchange_body(x),
           type = pw_exchange_header(x, "content-type");
    FUZZ_CHECK(path.len > 0 && (path.ptr[0] == '/' || path.ptr[0] == '*'));
    FUZZ_CHECK(memchr(path.ptr, '?', path.len) == NULL && memchr(path.ptr, '\0', path.len) == NULL);
    FUZZ_CHECK(pw_exchange_method_name(x).len > 0);
    FUZZ_CHECK(body.len <= BODY_MAX);
    FUZZ_CHECK(turn == PW_TURN_FIRST || body.len == 0);
    size_t headers = 0;
    pw_exchange_headers(x, look_at_header, &headers);
    if (turn == PW_TURN_FIRST && pw_str_starts(path, PW_LIT("/p"))) {
        if (pw_str_is(path, "/pw"))
            pw_exchange_wake(x);
        pw_exchange_park(x, pw_str_is(path, "/p1") ? 1 : WAIT_MS);
        return;
    }
    (void)pw_exchange_put(x, "X-Type", type);
    (void)pw_exchange_put(x, "X-Query", pw_exchange_query(x));
    pw_exchange_answer(x, 200, "text/plain", headers % 2 ? body : path);
}

static void open_listener(void)
{
    pw_listener_options options = { .listen = "127.0.0.1:0",
                                    .workers = 2,
                                    .connections = 500,
                                    .body_max = BODY_MAX,
                                    .header_max = 2000,
                                    .bodies_max = 5000,
                                    .idle_ms = WAIT_MS * 2 };
    pawl_error err;
    FUZZ_CHECK(pw_listener_open(&listener, &options, handle, NULL, &err) == PAWL_OK);
    const char *address = strrchr(pw_listener_addresses(listener), ':');
    port = htons((in_port_t)strtoul(address + 1, NULL, 10));
}

/* From one of many addresses: each connection leaves its port taken for a minute. */
static int connected(void)
{
    static uint32_t number;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    struct sockaddr_in from = { .sin_family = AF_INET,
                                .sin_addr = { htonl(0x7f000002 + number++ % 0xfffff0) } };
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_addr = { htonl(INADDR_LOOPBACK) },
                              .sin_port = port };
    FUZZ_CHECK(fd >= 0);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    FUZZ_CHECK(bind(fd, (struct sockaddr *)&from, sizeof from) == 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        FUZZ_CHECK(errno == EINTR); /* libFuzzer looks at the time; the connection goes on to be made */
        struct pollfd made = { .fd = fd, .events = POLLOUT };
        while (poll(&made, 1, WAIT_MS) < 0)
            FUZZ_CHECK(errno == EINTR);
    }
    return fd;
}

/* Until the other side closes; keeps the beginning. */
static size_t read_all(int fd, char *begin, size_t size)
{
    size_t kept = 0;
    for (;;) {
        char bytes[4096];
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        int found = poll(&ready, 1, WAIT_MS);
        if (found < 0 && errno == EINTR) /* libFuzzer looks at the time */
            continue;
        FUZZ_CHECK(found == 1); /* else it hangs */
        ssize_t got = recv(fd, bytes, sizeof bytes, 0);
        if (got <= 0)
            return kept;
        size_t take = (size_t)got < size - kept ? (size_t)got : size - kept;
        memcpy(begin + kept, bytes, take);
        kept += take;
    }
}

static void nothing_is_left(void)
{
    for (time_t end = time(NULL) + WAIT_MS / 1000; time(NULL) < end; (void)sched_yield()) {
        pw_listener_counts now;
        pw_listener_count(listener, &now);
        if (now.connections + now.parked + now.running + now.queued + now.body_bytes == 0)
            return;
    }
    FUZZ_CHECK(false && "something is left");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!listener)
        open_listener();
    size_t pieces = size ? data[0] % 4 + 1u : 1;
    size_t at = size ? 1 : 0;
    int fd = connected();
    for (size_t i = 0; i < pieces && at < size; i++) {
        size_t len = i + 1 == pieces ? size - at : (size - at) / 2;
        (void)send(fd, data + at, len, MSG_NOSIGNAL); /* it may have been refused already */
        at += len;
    }
    (void)shutdown(fd, SHUT_WR);
    char begin[9];
    size_t len = read_all(fd, begin, sizeof begin);
    FUZZ_CHECK(len == 0 || (len == sizeof begin && memcmp(begin, "HTTP/1.1 ", sizeof begin) == 0));
    (void)close(fd);
    nothing_is_left();
    return 0;
}
