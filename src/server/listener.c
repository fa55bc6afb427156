/* listener.c - HTTP by libmicrohttpd: whole requests to a handler, answers back.
 *
 *     sockets -> [pawl-http: one thread, all input and output] -> queue -> [pawl-http-work: threads
 * that call the handler] ^                                                     |
 *                            '------------- posts: answered, or parked ------------'
 *
 * See listener_internal.h for who owns what, exchange.c for the turns of an exchange. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server/listener_internal.h"

enum {
    WORKERS = 32,
    CONNECTIONS = 20000,
    CONNECTIONS_MAX = 1 << 20,
    BODY_MAX = 16 << 20,
    HEADER_MAX = 8 << 10,
    HEADER_LEAST = 1 << 10,
    BODIES_MAX = 256 << 20,
    IDLE_MS = 30000,
    REQUEST_MS = 60000,
    OTHER_DESCRIPTORS =
        512, /* for the store, calls to the outside, and the listener itself: two for each share */
    LOOP_STACK = 512 << 10, /* TLS is made there */
    WORK_STACK = 1 << 20,   /* as for the socket beside the store: the same commands */
    PEM_MAX = 1 << 20,
    BUCKETS = 4096,
};

int pw_http_thread(pthread_t *out, const char *name, size_t stack, void *(*run)(void *),
                   void *context)
{
    static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };
    sigset_t blocked, before;
    pthread_attr_t attributes;
    int failed = pthread_attr_init(&attributes);
    if (failed)
        return failed;
    (void)sigfillset(&blocked);
    for (size_t i = 0; i < PW_LENGTH(own); i++)
        (void)sigdelset(&blocked, own[i]);
    (void)pthread_attr_setstacksize(&attributes, stack);
    (void)pthread_sigmask(SIG_SETMASK, &blocked, &before);
    failed = pthread_create(out, &attributes, run, context);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    if (!failed)
        (void)pthread_setname_np(*out, name);
    return failed;
}

/* ---- opening */

/* As many descriptors as the system allows; gives how many that are. */
static rlim_t raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit more = { limit.rlim_max < CONNECTIONS_MAX * 2 ? limit.rlim_max
                                                                    : CONNECTIONS_MAX * 2,
                               limit.rlim_max };
        if (more.rlim_cur > limit.rlim_cur && setrlimit(RLIMIT_NOFILE, &more) == 0)
            return more.rlim_cur;
    }
    return limit.rlim_cur;
}

static pawl_code read_options(pw_listener *l, const pw_listener_options *given, pawl_error *err)
{
    pw_listener_options *o = &l->options;
    *o = *given;
    o->workers = o->workers ? o->workers : WORKERS;
    o->connections = o->connections ? o->connections : CONNECTIONS;
    o->body_max = o->body_max ? o->body_max : BODY_MAX;
    o->header_max = o->header_max ? o->header_max : HEADER_MAX;
    o->bodies_max = o->bodies_max ? o->bodies_max : BODIES_MAX;
    o->idle_ms = o->idle_ms ? o->idle_ms : IDLE_MS;
    o->request_ms = o->request_ms ? o->request_ms : REQUEST_MS;
    if (o->workers > 1024 || o->connections > CONNECTIONS_MAX || o->header_max < HEADER_LEAST ||
        o->header_max > 1 << 20)
        return pw_fail(
            err, PAWL_INVALID,
            "HTTP: at most 1024 workers and 1048576 connections; headers from 1 KiB to 1 MiB");
    if (o->bodies_max < o->body_max)
        return pw_fail(err, PAWL_INVALID, "HTTP: all bodies together may not be less than one");
    if (!o->certificate != !o->key)
        return pw_fail(err, PAWL_INVALID, "HTTPS needs both a certificate and a key");
    rlim_t descriptors = raise_descriptors();
    /* For each share of them libmicrohttpd needs two more. */
    rlim_t ours =
        descriptors > OTHER_DESCRIPTORS * 2 ? descriptors - OTHER_DESCRIPTORS : OTHER_DESCRIPTORS;
    ours -= ours / PW_HTTP_SHARE * 2;
    if (o->connections > ours)
        o->connections = (uint32_t)ours;
    l->secure = o->certificate != NULL;
    return PAWL_OK;
}

static pawl_code read_pem(char **out, const char *path, pawl_error *err)
{
    FILE *file = fopen(path, "rbe");
    if (!file)
        return pw_fail_native(err, errno == ENOENT ? PAWL_NOT_FOUND : PAWL_IO, errno,
                              "cannot open '%s': %s", path, strerror(errno));
    struct stat about;
    bool small = fstat(fileno(file), &about) == 0 && about.st_size < PEM_MAX;
    size_t size = small ? (size_t)about.st_size : 0;
    char *text = small ? pw_alloc(size + 1) : NULL;
    size_t got = text ? fread(text, 1, size, file) : 0;
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (!small)
        return pw_fail(err, PAWL_INVALID, "'%s' is not a PEM file: it is larger than 1 MiB", path);
    if (!text)
        return pw_no_memory(err);
    *out = text;
    text[got] = '\0';
    if (failed || got < size)
        return pw_fail(err, PAWL_IO, "cannot read '%s'", path);
    if (!strstr(text, "-----BEGIN "))
        return pw_fail(err, PAWL_INVALID, "'%s' is not a PEM file", path);
    return PAWL_OK;
}

static bool watch(pw_listener *l, int fd, pw_watch *what)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = what };
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static pawl_code open_loop(pw_listener *l, pawl_error *err)
{
    l->heap = pw_alloc(l->options.connections * sizeof(pw_connection *));
    l->buckets = pw_zalloc(BUCKETS * sizeof(pw_address *));
    if (!l->heap || !l->buckets)
        return pw_no_memory(err);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    l->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool good = l->epoll >= 0 && l->wake >= 0 && l->spare >= 0 && watch(l, l->wake, &l->watch_wake);
    for (size_t i = 0; i < l->share_count && good; i++) {
        const union MHD_DaemonInfo *info =
            MHD_get_daemon_info(l->shares[i].daemon, MHD_DAEMON_INFO_EPOLL_FD);
        good = info && watch(l, info->epoll_fd, &l->shares[i].watch);
    }
    for (size_t i = 0; i < l->socket_count && good; i++)
        good = watch(l, l->sockets[i].fd, &l->sockets[i].watch);
    return good ? PAWL_OK
                : pw_fail_native(err, PAWL_IO, errno, "cannot start the HTTP server: %s",
                                 strerror(errno));
}

static pawl_code start_threads(pw_listener *l, pawl_error *err)
{
    l->workers = pw_alloc(l->options.workers * sizeof(pthread_t));
    if (!l->workers)
        return pw_no_memory(err);
    int failed = 0;
    while (l->worker_count < l->options.workers && !failed) {
        failed = pw_http_thread(&l->workers[l->worker_count], "pawl-http-work", WORK_STACK,
                                pw_exchange_work, l);
        l->worker_count += !failed;
    }
    if (!failed)
        failed = pw_http_thread(&l->loop, "pawl-http", LOOP_STACK, pw_http_loop, l);
    l->loop_runs = !failed;
    return failed
               ? pw_fail_native(err, PAWL_IO, failed, "cannot start a thread: %s", strerror(failed))
               : PAWL_OK;
}

static void init_locks(pw_listener *l)
{
    pthread_condattr_t attributes;
    int failed = pthread_condattr_init(&attributes) ||
                 pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) ||
                 pthread_cond_init(&l->less, &attributes) || pthread_cond_init(&l->work, NULL) ||
                 pthread_mutex_init(&l->lock, NULL);
    PW_ASSERT(!failed); /* none of them takes memory or can fail here */
    (void)pthread_condattr_destroy(&attributes);
}

static pw_listener *listener_new(pw_handler_fn handler, void *context)
{
    pw_listener *l = pw_zalloc(sizeof *l);
    if (!l)
        return NULL;
    l->handler = handler;
    l->context = context;
    l->epoll = l->wake = l->spare = -1;
    l->watch_wake = WATCH_WAKE;
    l->queue_end = &l->queue;
    l->posts_end = &l->posts;
    l->now_ms = pw_http_now_ms();
    for (size_t i = 0; i < PW_HTTP_LINGERING; i++)
        l->lingering[i] = (pw_linger){ WATCH_LINGER, -1, 0 };
    init_locks(l);
    return l;
}

pawl_code pw_listener_open(pw_listener **out, const pw_listener_options *options,
                           pw_handler_fn handler, void *context, pawl_error *err)
{
    pw_listener *l = listener_new(handler, context);
    if (!l)
        return pw_no_memory(err);
    pawl_code code = read_options(l, options, err);
    if (code == PAWL_OK && l->secure)
        code = read_pem(&l->certificate, options->certificate, err);
    if (code == PAWL_OK && l->secure)
        code = read_pem(&l->key, options->key, err);
    if (code == PAWL_OK)
        code = pw_http_bind(l, options->listen, err);
    if (code == PAWL_OK)
        code = pw_http_serve(l, err);
    if (code == PAWL_OK)
        code = open_loop(l, err);
    if (code == PAWL_OK)
        code = start_threads(l, err);
    if (code != PAWL_OK) {
        pw_listener_close(l);
        return code;
    }
    *out = l;
    return PAWL_OK;
}

const char *pw_listener_addresses(const pw_listener *listener)
{
    return listener->addresses;
}

void pw_listener_count(const pw_listener *listener, pw_listener_counts *out)
{
    pthread_mutex_t *lock =
        (pthread_mutex_t *)(uintptr_t)&listener->lock; /* it is what a lock is for */
    (void)pthread_mutex_lock(lock);
    *out = listener->counts;
    (void)pthread_mutex_unlock(lock);
}

/* ---- closing */

static struct timespec after_ms(uint64_t ms)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

void pw_listener_drain(pw_listener *l, uint64_t timeout_ms)
{
    struct timespec until = after_ms(timeout_ms < UINT32_MAX ? timeout_ms : UINT32_MAX);
    (void)pthread_mutex_lock(&l->lock);
    l->stopping = true;
    (void)pthread_mutex_unlock(&l->lock);
    pw_http_wake_loop(l);
    (void)pthread_mutex_lock(&l->lock);
    int late = 0;
    while ((!l->shut || l->carried > 0) && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&l->less, &l->lock, &until);
    (void)pthread_mutex_unlock(&l->lock);
}

/* Whoever was asked something answers; whether it is sent is no longer of interest. */
static void stop_threads(pw_listener *l)
{
    (void)pthread_mutex_lock(&l->lock);
    l->stopping = true;
    (void)pthread_mutex_unlock(&l->lock);
    if (l->loop_runs)
        pw_http_wake_loop(l);
    (void)pthread_mutex_lock(&l->lock);
    while (l->loop_runs && (!l->shut || l->busy > 0))
        (void)pthread_cond_wait(&l->less, &l->lock);
    l->quit = true;
    (void)pthread_cond_broadcast(&l->work);
    (void)pthread_mutex_unlock(&l->lock);
    if (l->loop_runs) {
        pw_http_wake_loop(l);
        (void)pthread_join(l->loop, NULL);
    }
    for (uint32_t i = 0; i < l->worker_count; i++)
        (void)pthread_join(l->workers[i], NULL);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

static void forget(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    pw_free(text);
}

void pw_listener_close(pw_listener *l)
{
    if (!l)
        return;
    stop_threads(l);
    pw_http_stop(l); /* every connection is freed by this */
    for (size_t i = 0; i < l->socket_count; i++)
        close_fd(l->sockets[i].fd);
    for (size_t i = 0; i < PW_HTTP_LINGERING; i++)
        close_fd(l->lingering[i].fd);
    close_fd(l->epoll);
    close_fd(l->wake);
    close_fd(l->spare);
    (void)pthread_mutex_destroy(&l->lock);
    (void)pthread_cond_destroy(&l->work);
    (void)pthread_cond_destroy(&l->less);
    forget(l->key);
    pw_free(l->certificate);
    pw_free(l->addresses);
    pw_free(l->workers);
    pw_free(l->heap);
    pw_free(l->buckets);
    pw_free(l);
}
