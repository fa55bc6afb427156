/* test_listener.c - the listener from inside: turns that race, memory that fails, its threads. What
 * a client sees is in test/http/listener.py. */
#include <arpa/inet.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "test.h"
#include "server/exchange.h"

/* ---- a client: it waits at most a minute for anything */

typedef struct client {
    int fd;
    size_t len;
    char bytes[4096];
} client;

static int port_of(const pw_listener *l)
{
    return (int)strtol(strrchr(pw_listener_addresses(l), ':') + 1, NULL, 10);
}

static bool client_open(client *c, int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_addr = { htonl(INADDR_LOOPBACK) },
                              .sin_port = htons((in_port_t)port) };
    struct timeval minute = { 60, 0 };
    c->len = 0;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof minute);
    return connect(c->fd, (struct sockaddr *)&to, sizeof to) == 0;
}

static void client_close(client *c)
{
    (void)close(c->fd);
}

static void client_send(client *c, const char *path, const char *body)
{
    char text[300];
    int len =
        snprintf(text, sizeof text, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s",
                 path, strlen(body), body);
    (void)send(c->fd, text, (size_t)len, MSG_NOSIGNAL);
}

/* The status of the next answer, whose body has less than 1000 bytes; 0: the connection ended
 * without one. */
static int client_status(client *c)
{
    for (;;) {
        c->bytes[c->len] = '\0';
        char *end = strstr(c->bytes, "\r\n\r\n"),
             *length = end ? strstr(c->bytes, "Content-Length: ") : NULL;
        size_t whole =
            length ? (size_t)(end + 4 - c->bytes) + strtoul(length + 16, NULL, 10) : SIZE_MAX;
        if (c->len >= whole) {
            int status = (int)strtol(c->bytes + 9, NULL, 10);
            c->len -= whole;
            memmove(c->bytes, c->bytes + whole, c->len);
            return status;
        }
        ssize_t got = recv(c->fd, c->bytes + c->len, sizeof c->bytes - 1 - c->len, 0);
        if (got <= 0)
            return 0;
        c->len += (size_t)got;
    }
}

static void wait_until(pw_listener *l, bool (*good)(const pw_listener_counts *))
{
    pw_listener_counts now;
    for (int i = 0; i < 60000; i++) {
        pw_listener_count(l, &now);
        if (good(&now))
            return;
        (void)usleep(1000);
    }
    fail_msg("it did not come within a minute: %llu connections, %llu parked",
             (unsigned long long)now.connections, (unsigned long long)now.parked);
}

static bool nothing_left(const pw_listener_counts *c)
{
    return c->connections + c->parked + c->running + c->queued + c->body_bytes == 0;
}

/* ---- turns that race */

enum { SLOTS = 64, CLIENTS = 8, REQUESTS = 300, WAKERS = 3 };

typedef struct storm {
    pw_listener *listener;
    pthread_mutex_t lock;
    pw_exchange *parked[SLOTS]; /* under the lock, as long as it may be woken */
    atomic_ulong first, answered, turns[5];
    atomic_bool over;
    atomic_uint seed;
} storm;

static unsigned draw(storm *s, unsigned below)
{
    unsigned x = atomic_fetch_add(&s->seed, 2654435761u);
    x ^= x >> 15;
    return (x * 2246822519u >> 7) % below;
}

static void take_slot(storm *s, pw_exchange *x)
{
    (void)pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < SLOTS; i++)
        if (!s->parked[i]) {
            s->parked[i] = x;
            break;
        }
    (void)pthread_mutex_unlock(&s->lock);
}

static void leave_slot(storm *s, pw_exchange *x)
{
    (void)pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < SLOTS; i++)
        if (s->parked[i] == x)
            s->parked[i] = NULL;
    (void)pthread_mutex_unlock(&s->lock);
}

static void storm_handle(void *context, pw_exchange *x, pw_turn turn)
{
    storm *s = context;
    atomic_fetch_add(&s->turns[turn], 1);
    if (turn == PW_TURN_FIRST) {
        atomic_fetch_add(&s->first, 1);
        take_slot(s, x);
    }
    if (turn <= PW_TURN_TIMEOUT && (turn == PW_TURN_FIRST || draw(s, 3))) {
        pw_exchange_park(x, draw(s, 3));
        return;
    }
    leave_slot(s, x);
    atomic_fetch_add(&s->answered, 1);
    pw_exchange_answer(x, 200, "text/plain", PW_LIT("ok"));
}

static void *wake_all_the_time(void *context)
{
    storm *s = context;
    while (!atomic_load(&s->over)) {
        (void)pthread_mutex_lock(&s->lock);
        for (size_t i = draw(s, SLOTS); i < SLOTS; i++)
            if (s->parked[i])
                pw_exchange_wake(s->parked[i]);
        (void)pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

/* Some connections are for many requests, some for one whose answer nobody waits for. */
static void *ask_all_the_time(void *context)
{
    storm *s = context;
    uintptr_t answers = 0;
    client c;
    if (!client_open(&c, port_of(s->listener)))
        return NULL;
    for (int i = 0; i < REQUESTS; i++) {
        client gone;
        client_send(&c, "/", "body");
        if (draw(s, 4) == 0 && client_open(&gone, port_of(s->listener))) {
            client_send(&gone, "/", "body");
            client_close(&gone);
        }
        if (client_status(&c) != 200)
            break;
        answers++;
    }
    client_close(&c);
    return (void *)answers;
}

static uintptr_t storm_of(storm *s, bool drain)
{
    pthread_t wakers[WAKERS], clients[CLIENTS];
    pawl_error err;
    pw_listener_options options = { .listen = "127.0.0.1:0", .workers = 4 };
    *s = (storm){ .lock = PTHREAD_MUTEX_INITIALIZER };
    EXPECT_OK(pw_listener_open(&s->listener, &options, storm_handle, s, &err), err);
    for (size_t i = 0; i < WAKERS; i++)
        EXPECT_INT(pthread_create(&wakers[i], NULL, wake_all_the_time, s), 0);
    for (size_t i = 0; i < CLIENTS; i++)
        EXPECT_INT(pthread_create(&clients[i], NULL, ask_all_the_time, s), 0);
    uintptr_t answers = 0;
    if (drain) {
        while (atomic_load(&s->answered) < 200)
            (void)usleep(100);
        pw_listener_drain(s->listener, 60000);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        void *got = NULL;
        EXPECT_INT(pthread_join(clients[i], &got), 0);
        answers += (uintptr_t)got;
    }
    wait_until(s->listener, nothing_left);
    atomic_store(&s->over, true);
    for (size_t i = 0; i < WAKERS; i++)
        EXPECT_INT(pthread_join(wakers[i], NULL), 0);
    pw_listener_close(s->listener);
    return answers;
}

TEST(listener, every_exchange_is_answered_once_however_wakes_times_and_departures_race)
{
    static storm s;
    EXPECT_INT(storm_of(&s, false), CLIENTS * REQUESTS);
    EXPECT_INT(atomic_load(&s.answered), atomic_load(&s.first));
    EXPECT(atomic_load(&s.first) >= CLIENTS * REQUESTS);
    EXPECT(atomic_load(&s.turns[PW_TURN_WOKEN]) > 0 && atomic_load(&s.turns[PW_TURN_TIMEOUT]) > 0);
}

TEST(listener, draining_in_the_middle_answers_every_exchange_once)
{
    static storm s;
    for (int i = 0; i < 5; i++) {
        uintptr_t heard = storm_of(&s, true);
        EXPECT_INT(atomic_load(&s.answered), atomic_load(&s.first));
        EXPECT(heard <= atomic_load(&s.answered) && heard >= 100);
    }
}

/* Handlers that are parked when it closes are asked to end, without a drain before. */
static void wait_for_ever(void *context, pw_exchange *x, pw_turn turn)
{
    atomic_ulong *stopped = context;
    if (turn == PW_TURN_FIRST) {
        pw_exchange_park(x, 3600000);
        return;
    }
    atomic_fetch_add(stopped, turn == PW_TURN_STOPPING);
    pw_exchange_answer(x, 503, NULL, PW_LIT(""));
}

static bool all_parked(const pw_listener_counts *c)
{
    return c->parked == CLIENTS;
}

TEST(listener, closing_gives_what_is_parked_its_last_turn)
{
    atomic_ulong stopped = 0;
    pw_listener *l = NULL;
    pw_listener_options options = { .listen = "127.0.0.1:0", .workers = 2 };
    pawl_error err;
    client clients[CLIENTS];
    EXPECT_OK(pw_listener_open(&l, &options, wait_for_ever, &stopped, &err), err);
    for (size_t i = 0; i < CLIENTS; i++) {
        EXPECT(client_open(&clients[i], port_of(l)));
        client_send(&clients[i], "/", "");
    }
    wait_until(l, all_parked);
    pw_listener_close(l);
    EXPECT_INT(atomic_load(&stopped), CLIENTS);
    for (size_t i = 0; i < CLIENTS; i++)
        client_close(&clients[i]);
}

/* ---- memory */

/* Parks once, and then answers with a header and what it got before. */
static void careful_handle(void *context, pw_exchange *x, pw_turn turn)
{
    (void)context;
    if (turn == PW_TURN_FIRST) {
        pw_str kept = pw_arena_str(pw_exchange_arena(x), pw_exchange_body(x));
        *pw_exchange_own(x) = (void *)(uintptr_t)kept.ptr;
        pw_exchange_park(x, 0);
        return;
    }
    const char *kept = *pw_exchange_own(x);
    bool put = pw_exchange_put(x, "X-Length", PW_LIT("5"));
    if (kept && put)
        pw_exchange_answer(x, 200, "text/plain", pw_str_of(kept));
    else
        pw_exchange_answer(x, 507, NULL, PW_LIT(""));
}

TEST(listener, a_request_without_memory_is_refused_and_the_next_is_served)
{
    pw_listener *l = NULL;
    pw_listener_options options = { .listen = "127.0.0.1:0", .workers = 2, .per_address = 10 };
    pawl_error err;
    EXPECT_OK(pw_listener_open(&l, &options, careful_handle, NULL, &err), err);
    uint64_t nth = 0, refused = 0;
    for (int status = 0; status != 200; nth++) {
        client c;
        EXPECT(nth < 100);
        pw_alloc_fail_after(nth + 1);
        EXPECT(client_open(&c, port_of(l)));
        client_send(&c, "/", "hello");
        status = client_status(&c);
        pw_alloc_fail_after(0);
        EXPECT(status == 200 || status == 503 || status == 507);
        refused += status != 200;
        client_close(&c);
        wait_until(l, nothing_left);
        EXPECT(client_open(&c, port_of(l)));
        client_send(&c, "/", "hello");
        EXPECT_INT(client_status(&c), 200);
        client_close(&c);
        wait_until(l, nothing_left);
    }
    EXPECT_INT(refused,
               6); /* connection, its address, exchange, body, arena of the handler, answer */
    pw_listener_close(l);
}

TEST(listener, opening_without_memory_says_so)
{
    pw_listener_options options = { .listen = "127.0.0.1:0", .workers = 2 };
    pawl_code code = PAWL_NO_MEMORY;
    uint64_t nth = 1;
    for (; code != PAWL_OK; nth++) {
        pw_listener *l = NULL;
        pawl_error err;
        pw_alloc_fail_after(nth);
        code = pw_listener_open(&l, &options, careful_handle, NULL, &err);
        pw_alloc_fail_after(0);
        EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY);
        EXPECT((code == PAWL_OK) == (l != NULL));
        pw_listener_close(l);
    }
    EXPECT(nth > 4);
}

/* ---- threads */

/* How many threads of that name there are; fails if one of them would take a signal meant for the
 * program. */
static unsigned threads_named(const char *name)
{
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    EXPECT(tasks != NULL);
    for (struct dirent *task = readdir(tasks); task; task = readdir(tasks)) {
        char path[300], line[200], comm[32] = "";
        unsigned long long blocked = 0;
        (void)snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *file = fopen(path, "re");
        while (file && fgets(line, sizeof line, file)) {
            (void)sscanf(line, "Name: %31s", comm);
            (void)sscanf(line, "SigBlk: %llx", &blocked);
        }
        if (file)
            (void)fclose(file);
        if (strcmp(comm, name) != 0)
            continue;
        count++;
        EXPECT((blocked & 1u << 14) && (blocked & 1u << 1)); /* SIGTERM, SIGINT */
    }
    (void)closedir(tasks);
    return count;
}

TEST(listener, its_threads_have_names_and_take_no_signals)
{
    pw_listener *l = NULL;
    pw_listener_options options = { .listen = "127.0.0.1:0", .workers = 5 };
    pawl_error err;
    EXPECT_OK(pw_listener_open(&l, &options, careful_handle, NULL, &err), err);
    EXPECT_INT(threads_named("pawl-http"), 1);
    EXPECT_INT(threads_named("pawl-http-work"), 5);
    pw_listener_close(l);
    EXPECT_INT(threads_named("pawl-http"), 0);
    EXPECT_INT(threads_named("pawl-http-work"), 0);
}

TEST(listener, limits_that_make_no_sense_are_refused)
{
    static const pw_listener_options rows[] = {
        { .listen = "127.0.0.1:0", .workers = 1025 },
        { .listen = "127.0.0.1:0", .connections = (1 << 20) + 1 },
        { .listen = "127.0.0.1:0", .header_max = 1023 },
        { .listen = "127.0.0.1:0", .header_max = (1 << 20) + 1 },
        { .listen = "127.0.0.1:0", .body_max = 2, .bodies_max = 1 },
        { .listen = "127.0.0.1:0", .certificate = "a" },
        { .listen = "127.0.0.1:0", .key = "a" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        pw_listener *l = NULL;
        pawl_error err;
        EXPECT_INT(pw_listener_open(&l, &rows[i], careful_handle, NULL, &err), PAWL_INVALID);
        EXPECT(l == NULL);
    }
}

TEST_MAIN()
