/* demo.c - a server with the listener of the program and a handler of its own, for the programs
 * beside it and for bench.
 *
 *     http_demo LISTEN [OPTION=VALUE...]      options are the members of pw_listener_options
 *
 * Its first line on stdout is where it listens. Then it takes commands, a line each, and answers
 * each with one line: count, wake, drain MS, close, descriptors (uses up all that are left),
 * release (gives them back), memory (kB). Paths: /echo answers method, path, query, body; /park?MS
 * parks; /slow waits on its thread for POST /go; /hold parks for good, again at each wake, and
 * answers when the listener stops or the client has gone; /big?BYTES; /header?NAME answers with
 * that header of the request; /put?TEXT puts a header with that value. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "server/exchange.h"

enum { HELD_MAX = 65536, KEPT_MAX = 65536 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pw_exchange *held[HELD_MAX];
static size_t held_count;
static unsigned long turns[5]; /* that parked exchanges have had */
static bool go;
static sigset_t go_signal;

static void answer(pw_exchange *x, unsigned status, const char *text)
{
    pw_exchange_answer(x, status, "text/plain", pw_str_of(text));
}

static unsigned long number_of(pw_str text)
{
    unsigned long value = 0;
    for (size_t i = 0; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
        value = value * 10 + (unsigned long)(text.ptr[i] - '0');
    return value;
}

static void echo(pw_exchange *x)
{
    pw_str method = pw_exchange_method_name(x), path = pw_exchange_path(x),
           query = pw_exchange_query(x), body = pw_exchange_body(x);
    pw_buf text;
    pw_buf_init(&text, 0);
    pw_buf_printf(&text, PW_FMT " %d " PW_FMT " " PW_FMT "\n", PW_ARG(method),
                  (int)pw_exchange_method(x), PW_ARG(path), PW_ARG(query));
    pw_buf_str(&text, body);
    if (text.failed)
        answer(x, 500, "no memory");
    else
        pw_exchange_answer(x, 200, "text/plain", pw_buf_view(&text));
    pw_buf_done(&text);
}

static void big(pw_exchange *x)
{
    size_t size = number_of(pw_exchange_query(x));
    char *bytes = malloc(size ? size : 1);
    if (!bytes) {
        answer(x, 500, "no memory");
        return;
    }
    memset(bytes, 'b', size);
    pw_exchange_answer(x, 200, "application/octet-stream", (pw_str){ bytes, size });
    free(bytes);
}

static void slow(pw_exchange *x)
{
    (void)pthread_mutex_lock(&lock);
    while (!go)
        (void)pthread_cond_wait(&changed, &lock);
    (void)pthread_mutex_unlock(&lock);
    answer(x, 200, pw_exchange_alive(x) ? "done\n" : "done for nobody\n");
}

static void tell_all_go(void)
{
    (void)pthread_mutex_lock(&lock);
    go = true;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
}

/* In `held` as long as it may be woken. */
static void hold(pw_exchange *x, pw_turn turn)
{
    size_t *at = (size_t *)pw_exchange_own(x);
    (void)pthread_mutex_lock(&lock);
    turns[turn]++;
    bool ends = turn == PW_TURN_GONE || turn == PW_TURN_STOPPING ||
                (turn == PW_TURN_FIRST && held_count == HELD_MAX);
    if (turn == PW_TURN_FIRST && !ends) {
        *at = held_count;
        held[held_count++] = x;
    } else if (ends && turn != PW_TURN_FIRST) {
        held[*at] = held[--held_count];
        *(size_t *)pw_exchange_own(held[*at]) = *at;
    }
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
    if (ends)
        answer(x, 503, turn == PW_TURN_GONE ? "gone\n" : "stopping\n");
    else
        pw_exchange_park(x, 3600 * 1000);
}

static void park(pw_exchange *x, pw_turn turn)
{
    static const char *const names[] = { "first\n", "woken\n", "timeout\n", "gone\n",
                                         "stopping\n" };
    if (turn == PW_TURN_FIRST)
        pw_exchange_park(x, number_of(pw_exchange_query(x)));
    else
        answer(x, 200, names[turn]);
}

static void header(pw_exchange *x)
{
    char name[100] = "";
    pw_str query = pw_exchange_query(x);
    if (query.len < sizeof name)
        memcpy(name, query.ptr, query.len);
    pw_str value = pw_exchange_header(x, name);
    if (value.ptr)
        pw_exchange_answer(x, 200, "text/plain", value);
    else
        answer(x, 404, "none");
}

/* %XX is a byte: what no client lets through otherwise. */
static void put(pw_exchange *x)
{
    char value[2000];
    pw_str query = pw_exchange_query(x);
    size_t len = 0;
    for (size_t i = 0; i < query.len && len < sizeof value; i++) {
        char hex[3] = { 0 };
        bool escaped = query.ptr[i] == '%' && i + 2 < query.len;
        if (escaped)
            memcpy(hex, query.ptr + i + 1, 2);
        value[len++] = escaped ? (char)strtol(hex, NULL, 16) : query.ptr[i];
        i += escaped ? 2 : 0;
    }
    bool good = pw_exchange_put(x, "X-Put", (pw_str){ value, len });
    answer(x, good ? 200 : 400, good ? "put\n" : "refused\n");
}

static void handle(void *context, pw_exchange *x, pw_turn turn)
{
    pw_str path = pw_exchange_path(x);
    (void)context;
    if (pw_str_is(path, "/hold"))
        hold(x, turn);
    else if (pw_str_is(path, "/park"))
        park(x, turn);
    else if (pw_str_is(path, "/slow"))
        slow(x);
    else if (pw_str_is(path, "/go"))
        tell_all_go(), answer(x, 200, "gone\n");
    else if (pw_str_is(path, "/big"))
        big(x);
    else if (pw_str_is(path, "/header"))
        header(x);
    else if (pw_str_is(path, "/put"))
        put(x);
    else if (pw_str_is(path, "/none"))
        pw_exchange_answer(x, 204, NULL, PW_LIT(""));
    else
        echo(x);
}

/* ---- commands */

static unsigned long memory_kb(void)
{
    char line[200];
    unsigned long kb = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kb = strtoul(line + 6, NULL, 10);
    if (file)
        (void)fclose(file);
    return kb;
}

static void use_descriptors(void)
{
    static int kept[KEPT_MAX];
    static size_t count;
    if (count == 0)
        while (count < KEPT_MAX && (kept[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
            count++;
    else
        while (count > 0)
            (void)close(kept[--count]);
}

static void tell_counts(const pw_listener *l)
{
    pw_listener_counts c;
    pw_listener_count(l, &c);
    (void)pthread_mutex_lock(&lock);
    printf("{\"connections\":%llu,\"parked\":%llu,\"running\":%llu,\"queued\":%llu,\"body_bytes\":%"
           "llu,\"requests\":%llu,"
           "\"refused\":%llu,\"timed_out\":%llu,\"held\":%zu,\"woken\":%lu,\"gone\":%lu,"
           "\"stopping\":%lu}\n",
           (unsigned long long)c.connections, (unsigned long long)c.parked,
           (unsigned long long)c.running, (unsigned long long)c.queued,
           (unsigned long long)c.body_bytes, (unsigned long long)c.requests,
           (unsigned long long)c.refused, (unsigned long long)c.timed_out, held_count,
           turns[PW_TURN_WOKEN], turns[PW_TURN_GONE], turns[PW_TURN_STOPPING]);
    (void)pthread_mutex_unlock(&lock);
}

static void wake_all(void)
{
    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; i < held_count; i++)
        pw_exchange_wake(held[i]);
    (void)pthread_mutex_unlock(&lock);
    puts("woken");
}

/* False: the end. */
static bool obey(pw_listener *l, const char *line)
{
    if (strcmp(line, "count\n") == 0) {
        tell_counts(l);
    } else if (strcmp(line, "wake\n") == 0) {
        wake_all();
    } else if (strcmp(line, "memory\n") == 0) {
        printf("%lu\n", memory_kb());
    } else if (strncmp(line, "drain ", 6) == 0) {
        pw_listener_drain(l, strtoul(line + 6, NULL, 10));
        puts("drained");
    } else if (strcmp(line, "descriptors\n") == 0) {
        use_descriptors();
        puts("ok");
    } else {
        return false;
    }
    (void)fflush(stdout);
    return true;
}

static bool set_option(pw_listener_options *o, const char *text)
{
    const char *equals = strchr(text, '=');
    pw_str name = { text, equals ? (size_t)(equals - text) : 0 };
    const char *value = equals ? equals + 1 : "";
    unsigned long number = strtoul(value, NULL, 10);
    if (pw_str_is(name, "certificate"))
        o->certificate = value;
    else if (pw_str_is(name, "key"))
        o->key = value;
    else if (pw_str_is(name, "workers"))
        o->workers = (uint32_t)number;
    else if (pw_str_is(name, "connections"))
        o->connections = (uint32_t)number;
    else if (pw_str_is(name, "per_address"))
        o->per_address = (uint32_t)number;
    else if (pw_str_is(name, "body_max"))
        o->body_max = number;
    else if (pw_str_is(name, "header_max"))
        o->header_max = number;
    else if (pw_str_is(name, "bodies_max"))
        o->bodies_max = number;
    else if (pw_str_is(name, "idle_ms"))
        o->idle_ms = number;
    else if (pw_str_is(name, "request_ms"))
        o->request_ms = number;
    else
        return false;
    return true;
}

/* SIGUSR1 is POST /go from outside: also when no requests are taken any more. */
static void *wait_for_signal(void *context)
{
    int number = 0;
    (void)context;
    while (sigwait(&go_signal, &number) == 0)
        tell_all_go();
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t waiter;
    (void)sigemptyset(&go_signal);
    (void)sigaddset(&go_signal, SIGUSR1);
    if (pthread_sigmask(SIG_BLOCK, &go_signal, NULL) ||
        pthread_create(&waiter, NULL, wait_for_signal, NULL))
        return 3;
    (void)pthread_detach(waiter);
    pw_listener_options options = { .listen = argc > 1 ? argv[1] : "127.0.0.1:0" };
    for (int i = 2; i < argc; i++)
        if (!set_option(&options, argv[i])) {
            (void)fprintf(stderr, "no such option: %s\n", argv[i]);
            return 2;
        }
    pw_listener *l = NULL;
    pawl_error err = { .code = PAWL_OK };
    if (pw_listener_open(&l, &options, handle, NULL, &err) != PAWL_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%s\n", pw_listener_addresses(l));
    (void)fflush(stdout);
    char line[200];
    while (fgets(line, sizeof line, stdin) && obey(l, line))
        ;
    pw_listener_close(l);
    return 0;
}
