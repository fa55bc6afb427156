/* service.c - a small HTTP service for tests. See service.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "http/service.h"

#define REQUEST_MAX (4u << 20)
#define WAIT_S 30

typedef struct text { /* memory that lives as long as the service */
    struct text *next;
    char bytes[];
} text;

typedef struct path_answer {
    struct path_answer *next;
    char *path;
    service_answer answer;
    unsigned used;
} path_answer;

typedef struct connection {
    struct connection *next;
    service *service;
    pthread_t thread;
    int fd; /* -1: closed */
    unsigned number;
    char *input; /* received and not used yet */
    size_t have;
} connection;

struct service {
    int fd, port;
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    text *texts;
    path_answer *answers;
    connection *connections;
    service_request **requests;
    unsigned request_count, connection_count, at_once, at_once_max, held, released;
    bool stopping;
};

_Noreturn static void give_up(const char *what)
{
    (void)fprintf(stderr, "test service: %s: %s\n", what, strerror(errno));
    abort();
}

static void lock(service *s)
{
    (void)pthread_mutex_lock(&s->lock);
}

static void unlock(service *s)
{
    (void)pthread_mutex_unlock(&s->lock);
}

/* Under the lock. */
static char *keep(service *s, const char *bytes, size_t len)
{
    text *kept = malloc(sizeof *kept + len + 1);
    if (!kept)
        give_up("memory");
    memcpy(kept->bytes, bytes, len);
    kept->bytes[len] = '\0';
    kept->next = s->texts;
    s->texts = kept;
    return kept->bytes;
}

/* ------------------------------------------------------------------ sending */

static bool send_bytes(connection *c, const char *bytes, size_t len)
{
    while (len) {
        ssize_t sent = send(c->fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

__attribute__((format(printf, 2, 3))) static bool send_text(connection *c, const char *format, ...)
{
    char line[4096];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof line)
        give_up("an answer's headers are too long");
    return send_bytes(c, line, (size_t)len);
}

static bool send_chunks(connection *c, const char *body, size_t len)
{
    for (size_t at = 0, part; at < len; at += part) {
        part = len - at < 7 ? len - at : 7;
        if (!send_text(c, "%zx\r\n", part) || !send_bytes(c, body + at, part) ||
            !send_text(c, "\r\n"))
            return false;
    }
    return send_text(c, "0\r\n\r\n");
}

static bool send_for_ever(connection *c, const char *line)
{
    char block[8192];
    size_t len = strlen(line);
    for (size_t at = 0; at < sizeof block; at++)
        block[at] = line[at % len];
    while (send_bytes(c, block, sizeof block - sizeof block % len))
        ;
    return false;
}

static void reset_at_close(connection *c)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };
    (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

/* Waits for its turn to be released; false: the service ends. */
static bool hold(service *s)
{
    lock(s);
    s->held++;
    (void)pthread_cond_broadcast(&s->changed);
    while (!s->released && !s->stopping)
        (void)pthread_cond_wait(&s->changed, &s->lock);
    if (s->released)
        s->released--;
    s->held--;
    bool go = !s->stopping;
    unlock(s);
    return go;
}

/* It is no longer being answered before the first byte goes: who has read the answer may have the next one asked by then. */
static void leave(service *s)
{
    lock(s);
    s->at_once--;
    (void)pthread_cond_broadcast(&s->changed);
    unlock(s);
}

/* True: the connection may be used again. */
static bool answer_with(connection *c, const service_answer *answer, bool head_only)
{
    const char *headers = answer->headers ? answer->headers : "";
    const char *body = answer->body ? answer->body : "";
    size_t len = answer->body_len ? answer->body_len : strlen(body);
    int status = answer->status ? answer->status : 200;
    bool bodiless = head_only || status == 204 || status == 304;

    bool go = !answer->hold || hold(c->service);
    if (go && answer->delay_ms)
        (void)usleep(answer->delay_ms * 1000);
    leave(c->service);
    if (!go)
        return false;
    switch (answer->manner) {
    case SERVICE_CLOSE:
        return false;
    case SERVICE_GARBAGE:
        (void)send_bytes(c, body, len);
        return false;
    case SERVICE_CHUNKED:
        return send_text(c, "HTTP/1.1 %d Test\r\n%sTransfer-Encoding: chunked\r\n\r\n", status,
                         headers) &&
               (bodiless || send_chunks(c, body, len));
    case SERVICE_UNTIL_CLOSE:
        if (send_text(c, "HTTP/1.1 %d Test\r\n%sConnection: close\r\n\r\n", status, headers))
            (void)send_bytes(c, body, len);
        return false;
    case SERVICE_ENDLESS_BODY:
        return send_text(c, "HTTP/1.1 %d Test\r\n%sConnection: close\r\n\r\n", status, headers) &&
               send_for_ever(c, "endless ");
    case SERVICE_ENDLESS_HEADERS:
        return send_text(c, "HTTP/1.1 %d Test\r\n", status) &&
               send_for_ever(c, "X-Endless: header\r\n");
    case SERVICE_ANSWER:
    case SERVICE_CLOSE_MIDWAY:
    case SERVICE_RESET_MIDWAY:
    case SERVICE_STALL:
        break;
    }
    bool ok = status == 204 ? send_text(c, "HTTP/1.1 %d Test\r\n%s\r\n", status, headers)
                            : send_text(c, "HTTP/1.1 %d Test\r\n%sContent-Length: %zu\r\n\r\n",
                                        status, headers, len);
    if (!ok || bodiless)
        return ok;
    if (answer->manner == SERVICE_ANSWER)
        return send_bytes(c, body, len);
    if (!send_bytes(c, body, len / 2))
        return false;
    if (answer->manner == SERVICE_STALL)
        return hold(c->service) && send_bytes(c, body + len / 2, len - len / 2);
    if (answer->manner == SERVICE_RESET_MIDWAY)
        reset_at_close(c);
    return false;
}

/* ------------------------------------------------------------------ receiving */

static bool receive(connection *c)
{
    if (c->have == REQUEST_MAX)
        give_up("a request is too long");
    ssize_t got;
    do
        got = recv(c->fd, c->input + c->have, REQUEST_MAX - c->have, 0);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return false;
    c->have += (size_t)got;
    return true;
}

static const char *find_header(const char *head, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = head; *line; line = strstr(line, "\r\n") + 2) {
        if (strncasecmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " \t");
    }
    return NULL;
}

/* Takes one request off the connection; NULL: the other side closed it. */
static service_request *read_request(connection *c)
{
    char *end;
    while ((end = memmem(c->input, c->have, "\r\n\r\n", 4)) == NULL) {
        if (!receive(c))
            return NULL;
    }
    size_t head_len = (size_t)(end - c->input) + 4;
    lock(c->service);
    char *head = keep(c->service, c->input, head_len - 2);
    unlock(c->service);
    char *lines = strstr(head, "\r\n") + 2;
    lines[-2] = '\0';
    char *path = strchr(head, ' ');
    char *version = path ? strchr(path + 1, ' ') : NULL;
    if (!version)
        give_up("no request line");
    *path++ = '\0';
    *version = '\0';
    const char *length = find_header(lines, "content-length");
    size_t body_len = length ? strtoul(length, NULL, 10) : 0;
    while (c->have < head_len + body_len) {
        if (!receive(c))
            return NULL;
    }
    lock(c->service);
    service_request *request = malloc(sizeof *request);
    if (!request)
        give_up("memory");
    *request = (service_request){ head,     path,
                                  lines,    keep(c->service, c->input + head_len, body_len),
                                  body_len, c->number };
    unlock(c->service);
    c->have -= head_len + body_len;
    memmove(c->input, c->input + head_len + body_len, c->have);
    return request;
}

static void record(service *s, service_request *request)
{
    if (s->request_count % 64 == 0) {
        s->requests = realloc(s->requests, (s->request_count + 64) * sizeof(*s->requests));
        if (!s->requests)
            give_up("memory");
    }
    s->requests[s->request_count++] = request;
    if (++s->at_once > s->at_once_max)
        s->at_once_max = s->at_once;
    (void)pthread_cond_broadcast(&s->changed);
}

static service_answer choose(service *s, const char *path)
{
    size_t len = strcspn(path, "?");
    for (path_answer *at = s->answers; at; at = at->next) {
        if (strlen(at->path) == len && memcmp(at->path, path, len) == 0 &&
            (!at->answer.times || at->used < at->answer.times)) {
            at->used++;
            return at->answer;
        }
    }
    return (service_answer){ .status = 404, .body = "no such path" };
}

static void *serve(void *context)
{
    connection *c = context;
    service *s = c->service;
    service_request *request;
    bool more = true;
    while (more && (request = read_request(c)) != NULL) {
        lock(s);
        record(s, request);
        service_answer answer = choose(s, request->path);
        unlock(s);
        more = answer_with(c, &answer, strcmp(request->method, "HEAD") == 0);
    }
    lock(s);
    (void)close(c->fd);
    c->fd = -1;
    unlock(s);
    return NULL;
}

static void *listen_thread(void *context)
{
    service *s = context;
    for (;;) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
        lock(s);
        if (s->stopping || fd < 0) {
            bool stopping = s->stopping;
            unlock(s);
            if (fd >= 0)
                (void)close(fd);
            if (stopping)
                return NULL;
            if (errno != EINTR && errno != ECONNABORTED)
                give_up("accept");
            continue;
        }
        int one = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        connection *c = calloc(1, sizeof *c);
        if (!c || !(c->input = malloc(REQUEST_MAX)))
            give_up("memory");
        c->service = s;
        c->fd = fd;
        c->number = ++s->connection_count;
        c->next = s->connections;
        s->connections = c;
        if (pthread_create(&c->thread, NULL, serve, c))
            give_up("thread");
        unlock(s);
    }
}

/* ------------------------------------------------------------------ for tests */

static int bind_loopback(int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) ||
        getsockname(fd, (struct sockaddr *)&address, &size))
        give_up("bind");
    *port = ntohs(address.sin_port);
    return fd;
}

service *service_new(void)
{
    service *s = calloc(1, sizeof *s);
    if (!s)
        give_up("memory");
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    s->fd = bind_loopback(&s->port);
    if (listen(s->fd, 1024))
        give_up("listen");
    if (pthread_create(&s->thread, NULL, listen_thread, s))
        give_up("thread");
    return s;
}

void service_free(service *s)
{
    if (!s)
        return;
    lock(s);
    s->stopping = true;
    (void)pthread_cond_broadcast(&s->changed);
    (void)shutdown(s->fd, SHUT_RDWR); /* ends accept() */
    unlock(s);
    (void)pthread_join(s->thread, NULL);
    lock(s);
    for (connection *c = s->connections; c; c = c->next) {
        if (c->fd >= 0)
            (void)shutdown(c->fd, SHUT_RDWR);
    }
    unlock(s);
    for (connection *c = s->connections, *next; c; c = next) {
        next = c->next;
        (void)pthread_join(c->thread, NULL);
        free(c->input);
        free(c);
    }
    for (path_answer *at = s->answers, *next; at; at = next) {
        next = at->next;
        free(at);
    }
    for (unsigned i = 0; i < s->request_count; i++)
        free(s->requests[i]);
    for (text *at = s->texts, *next; at; at = next) {
        next = at->next;
        free(at);
    }
    (void)close(s->fd);
    free(s->requests);
    (void)pthread_cond_destroy(&s->changed);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

int service_port(const service *s)
{
    return s->port;
}

const char *service_url(service *s, const char *path)
{
    char url[1024];
    int len = snprintf(url, sizeof url, "http://127.0.0.1:%d%s", s->port, path);
    lock(s);
    const char *kept = keep(s, url, (size_t)len);
    unlock(s);
    return kept;
}

void service_on(service *s, const char *path, service_answer answer)
{
    path_answer *added = calloc(1, sizeof *added);
    if (!added)
        give_up("memory");
    lock(s);
    added->path = keep(s, path, strlen(path));
    added->answer = answer;
    path_answer **at = &s->answers;
    while (*at)
        at = &(*at)->next;
    *at = added;
    unlock(s);
}

void service_release(service *s, unsigned count)
{
    lock(s);
    s->released += count;
    (void)pthread_cond_broadcast(&s->changed);
    unlock(s);
}

static void wait_for(service *s, const unsigned *value, unsigned count)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WAIT_S;
    lock(s);
    while (*value < count) {
        if (pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT) {
            (void)fprintf(stderr, "test service: %u of %u after %d s\n", *value, count, WAIT_S);
            abort();
        }
    }
    unlock(s);
}

void service_wait_requests(service *s, unsigned count)
{
    wait_for(s, &s->request_count, count);
}

void service_wait_held(service *s, unsigned count)
{
    wait_for(s, &s->held, count);
}

static unsigned locked(service *s, const unsigned *value)
{
    lock(s);
    unsigned copy = *value;
    unlock(s);
    return copy;
}

unsigned service_requests(service *s)
{
    return locked(s, &s->request_count);
}

unsigned service_connections(service *s)
{
    return locked(s, &s->connection_count);
}

unsigned service_at_once_max(service *s)
{
    return locked(s, &s->at_once_max);
}

const service_request *service_request_at(service *s, unsigned at)
{
    service_wait_requests(s, at + 1);
    lock(s);
    const service_request *request = s->requests[at];
    unlock(s);
    return request;
}

const char *service_header(service *s, const service_request *request, const char *name)
{
    const char *value = find_header(request->head, name);
    if (!value)
        return NULL;
    lock(s);
    const char *kept = keep(s, value, (size_t)(strstr(value, "\r\n") - value));
    unlock(s);
    return kept;
}

unsigned service_header_count(const service_request *request, const char *name)
{
    unsigned count = 0;
    for (const char *at = request->head; (at = find_header(at, name)) != NULL;
         at = strstr(at, "\r\n") + 2)
        count++;
    return count;
}

int service_dead_port(void)
{
    int port;
    (void)bind_loopback(
        &port); /* stays bound, so that nobody else gets the port, and does not listen */
    return port;
}
