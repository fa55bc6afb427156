/* listener_loop.c - the one thread that does all input and output.
 *
 * It waits at one epoll set: for libmicrohttpd's own set, the listening sockets, what workers post,
 * and, by edges, for every connection. libmicrohttpd reads and writes; the edges tell only that
 * something moved, which is what the times of a connection are counted from, and that the client
 * has gone, also while libmicrohttpd does not look because the connection is parked. The times are
 * one heap; a time that moved behind is put right when the old one comes up, so that a busy
 * connection costs nothing there. */
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "server/listener_internal.h"

enum {
    EVENTS = 256,
    ACCEPTS = 64,          /* of one socket in one round */
    ACCEPT_PAUSE_MS = 100, /* when the system has no room for one more */
    LINGER_MS = 2000,
    ENDED_MS = 20, /* for what has come before the client's end */
    LINGER_READ = 1 << 16,
    LINGER_READS = 16, /* at one event */
    BUCKETS = 4096,
};

uint64_t pw_http_now_us(void)
{
    struct timespec now;
    int failed = clock_gettime(CLOCK_MONOTONIC, &now);
    PW_ASSERT(failed == 0);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t pw_http_now_ms(void)
{
    return pw_http_now_us() / 1000;
}

void pw_http_wake_loop(pw_listener *l)
{
    uint64_t one = 1;
    ssize_t wrote = write(l->wake, &one, sizeof one); /* full means that it is awake */
    (void)wrote;
}

static void make_due(pw_listener *l, pw_share *share)
{
    if (!share->due)
        l->due[l->due_count++] = share;
    share->due = true;
}

/* A share has work left when it has read more than it has looked at. */
void pw_http_run_shares(pw_listener *l)
{
    size_t left = 0;
    for (size_t i = 0; i < l->due_count; i++) {
        pw_share *share = l->due[i];
        MHD_UNSIGNED_LONG_LONG after_ms = 1;
        (void)MHD_run(share->daemon);
        share->due = MHD_get_timeout(share->daemon, &after_ms) == MHD_YES && after_ms == 0;
        if (share->due)
            l->due[left++] = share;
    }
    l->due_count = left;
}

static bool watch(pw_listener *l, int fd, uint32_t events, pw_watch *what)
{
    struct epoll_event event = { .events = events, .data.ptr = what };
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* ---- times */

static void heap_put(pw_listener *l, size_t at, pw_connection *c)
{
    l->heap[at] = c;
    c->at = at;
}

static void heap_up(pw_listener *l, pw_connection *c)
{
    size_t at = c->at;
    for (; at > 0 && c->due_ms < l->heap[(at - 1) / 2]->due_ms; at = (at - 1) / 2)
        heap_put(l, at, l->heap[(at - 1) / 2]);
    heap_put(l, at, c);
}

static void heap_down(pw_listener *l, pw_connection *c)
{
    size_t at = c->at;
    for (;;) {
        size_t child = at * 2 + 1;
        if (child + 1 < l->heap_count && l->heap[child + 1]->due_ms < l->heap[child]->due_ms)
            child++;
        if (child >= l->heap_count || c->due_ms <= l->heap[child]->due_ms)
            break;
        heap_put(l, at, l->heap[child]);
        at = child;
    }
    heap_put(l, at, c);
}

static void heap_add(pw_listener *l, pw_connection *c)
{
    c->due_ms = UINT64_MAX;
    c->at = l->heap_count;
    heap_put(l, l->heap_count++, c);
}

static void heap_remove(pw_listener *l, pw_connection *c)
{
    pw_connection *last = l->heap[--l->heap_count];
    if (last == c)
        return;
    last->at = c->at;
    heap_up(l, last);
    heap_down(l, last);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When a limit of the connection is reached. */
static uint64_t limit_ms(const pw_connection *c)
{
    const pw_listener_options *o = &c->listener->options;
    uint64_t silent = c->active_ms + o->idle_ms;
    return c->phase == PHASE_READING ? earlier(silent, c->begun_ms + o->request_ms) : silent;
}

/* When the connection is to be looked at. */
static uint64_t over_ms(const pw_connection *c)
{
    if (c->phase == PHASE_WORKING)
        return pw_exchange_parked(c->exchange);
    bool ended = c->phase != PHASE_SENDING && c->ended_ms;
    return ended ? earlier(limit_ms(c), c->ended_ms + ENDED_MS) : limit_ms(c);
}

void pw_http_schedule(pw_connection *c)
{
    uint64_t over = over_ms(c);
    if (over < c->due_ms) {
        c->due_ms = over;
        heap_up(c->listener, c);
    }
}

void pw_http_tell(const pw_listener *l, int fd, const char *status, const char *header)
{
    char text[256];
    if (l->secure)
        return; /* it would not be TLS */
    int len =
        snprintf(text, sizeof text,
                 "HTTP/1.1 %s\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n", status, header);
    ssize_t sent = send(fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent;
}

void pw_http_cut(pw_connection *c)
{
    c->cut = true;
    (void)shutdown(c->fd, SHUT_RDWR);
}

/* By the kernel's count: what libmicrohttpd read at once has left no other trace. The end of the
 * client's sending counts as one byte there. */
bool pw_http_unheard(const pw_connection *c)
{
    struct tcp_info info = { 0 };
    socklen_t len = sizeof info;
    return !c->asked && getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           len >= offsetof(struct tcp_info, tcpi_bytes_sent) + sizeof info.tcpi_bytes_sent &&
           info.tcpi_bytes_received > 1 && info.tcpi_bytes_sent == 0;
}

/* Data is there that libmicrohttpd has not read: behind a request, an edge may be that of its own
 * data. */
static bool unread(const pw_connection *c)
{
    int bytes = 0;
    return ioctl(c->fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

static void count_timed_out(pw_listener *l)
{
    (void)pthread_mutex_lock(&l->lock);
    l->counts.timed_out++;
    (void)pthread_mutex_unlock(&l->lock);
}

static void time_is_over(pw_listener *l, pw_connection *c)
{
    if (c->phase == PHASE_WORKING) {
        pw_exchange_late(c->exchange, l->now_ms);
        return;
    }
    if (c->cut)
        return; /* libmicrohttpd will see it */
    bool reading = c->phase == PHASE_READING || (c->phase == PHASE_IDLE && pw_http_unheard(c));
    bool ended = c->phase != PHASE_SENDING && c->ended_ms;
    if (limit_ms(c) > l->now_ms &&
        (c->share->due || unread(c))) { /* ended: there is more of it to look at */
        c->ended_ms = l->now_ms;
        pw_http_schedule(c);
        return;
    }
    if (reading)
        pw_http_tell(l, c->fd, ended ? "400 Bad Request" : "408 Request Timeout", "");
    if (!ended && (reading || c->phase == PHASE_SENDING))
        count_timed_out(l);
    pw_http_cut(c);
}

static void look_at_times(pw_listener *l)
{
    while (l->heap_count && l->heap[0]->due_ms <= l->now_ms) {
        pw_connection *c = l->heap[0];
        uint64_t over = over_ms(c);
        c->due_ms = over > l->now_ms ? over : UINT64_MAX;
        heap_down(l, c);
        if (over <= l->now_ms)
            time_is_over(l, c);
    }
}

/* ---- what has been closed lingers until the client has read our answer: while it still sends,
 * closing at once would be a reset, which can take the answer away from it */

static void linger_end(pw_listener *l, pw_linger *linger)
{
    (void)close(linger->fd);
    linger->fd = -1;
    l->linger_count--;
}

void pw_http_linger(pw_listener *l, int fd)
{
    pw_linger *linger = NULL;
    for (size_t i = 0; i < PW_HTTP_LINGERING && !linger; i++)
        linger = l->lingering[i].fd < 0 ? &l->lingering[i] : NULL;
    (void)shutdown(fd, SHUT_WR);
    if (!linger || !watch(l, fd, EPOLLIN | EPOLLRDHUP, &linger->watch)) {
        (void)close(fd);
        return;
    }
    linger->fd = fd;
    linger->until_ms = l->now_ms + LINGER_MS;
    l->linger_count++;
}

static void linger_read(pw_listener *l, pw_linger *linger)
{
    for (int i = 0; i < LINGER_READS && linger->fd >= 0; i++) {
        ssize_t got = recv(linger->fd, NULL, LINGER_READ, MSG_DONTWAIT | MSG_TRUNC); /* away */
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0)
            linger_end(l, linger);
    }
}

static void look_at_lingering(pw_listener *l)
{
    for (size_t i = 0; i < PW_HTTP_LINGERING && l->linger_count; i++)
        if (l->lingering[i].fd >= 0 && l->lingering[i].until_ms <= l->now_ms)
            linger_end(l, &l->lingering[i]);
}

/* ---- connections come and go */

static uint64_t address_key(const struct sockaddr *address)
{
    uint64_t key = 0;
    if (address->sa_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, address, sizeof four);
        return four.sin_addr.s_addr; /* no network of IPv6 begins with 32 zero bits */
    }
    struct sockaddr_in6 six;
    memcpy(&six, address, sizeof six);
    memcpy(&key, &six.sin6_addr, sizeof key);
    return key ? key : UINT64_MAX; /* [::1] */
}

static pw_address **address_at(pw_listener *l, uint64_t key)
{
    pw_address **at = &l->buckets[pw_hash64(0, &key, sizeof key) % BUCKETS];
    while (*at && (*at)->bytes != key)
        at = &(*at)->next;
    return at;
}

/* False: no memory, or there are enough from this address. */
static bool count_address(pw_listener *l, pw_connection *c, const struct sockaddr *address,
                          bool *enough)
{
    if (!l->options.per_address)
        return true;
    uint64_t key = address_key(address);
    pw_address **at = address_at(l, key);
    if (!*at) {
        pw_address *made = pw_zalloc(sizeof *made);
        if (!made)
            return false;
        made->bytes = key;
        *at = made;
    }
    *enough = (*at)->connections >= l->options.per_address;
    if (*enough)
        return false;
    (*at)->connections++;
    c->address = *at;
    return true;
}

static void uncount_address(pw_listener *l, pw_address *address)
{
    if (!address || --address->connections)
        return;
    pw_address **at = address_at(l, address->bytes);
    *at = address->next;
    pw_free(address);
}

static void count_connections(pw_listener *l, bool refused)
{
    (void)pthread_mutex_lock(&l->lock);
    l->counts.connections = l->heap_count;
    if (refused)
        l->counts.refused++;
    (void)pthread_mutex_unlock(&l->lock);
}

void pw_http_connection_free(pw_connection *c)
{
    pw_listener *l = c->listener;
    if (c->watched)
        (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, c->fd, NULL);
    uncount_address(l, c->address);
    heap_remove(l, c);
    count_connections(l, false);
    pw_free(c);
}

static void refuse_connection(pw_listener *l, int fd, const char *status)
{
    pw_http_tell(l, fd, status, "Retry-After: 1\r\n");
    count_connections(l, true);
    pw_http_linger(l, fd);
}

static void take_in(pw_listener *l, int fd, const struct sockaddr *address, socklen_t len)
{
    static const char busy[] = "503 Service Unavailable";
    if (l->heap_count >= l->options.connections) {
        refuse_connection(l, fd, busy);
        return;
    }
    bool enough = false;
    pw_connection *c = pw_zalloc(sizeof *c);
    if (!c || !count_address(l, c, address, &enough)) {
        pw_free(c);
        refuse_connection(l, fd, enough ? "429 Too Many Requests" : busy);
        return;
    }
    c->watch = WATCH_CONNECTION;
    c->listener = l;
    c->fd = fd;
    c->active_ms = l->now_ms;
    pw_http_peer(c->peer, address);
    heap_add(l, c);
    pw_http_schedule(c);
    l->arriving = c;
    c->share = &l->shares[l->next_share++ % l->share_count];
    make_due(l, c->share);
    if (MHD_add_connection(c->share->daemon, fd, address, len) != MHD_YES) {
        /* no memory; it has closed the socket */
        if (l->arriving)
            pw_http_connection_free(c);
        l->arriving = NULL;
        count_connections(l, true);
        return;
    }
    PW_ASSERT(!l->arriving && c->mhd);
    c->watched = watch(l, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &c->watch);
    if (!c->watched)
        pw_http_cut(c);
    count_connections(l, false);
}

/* One descriptor was kept for this: a connection that there is no descriptor for is taken and
 * refused, or it would stand in the kernel's line, and the loop would turn without end. False: not
 * even that. */
static bool shed(pw_listener *l, int from)
{
    if (l->spare < 0)
        return false;
    (void)close(l->spare);
    int fd = accept4(from, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        pw_http_tell(l, fd, "503 Service Unavailable", "Retry-After: 1\r\n");
        (void)close(fd);
        count_connections(l, true);
    }
    l->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd >= 0;
}

static void listen_events(pw_listener *l, uint32_t events)
{
    for (size_t i = 0; i < l->socket_count; i++) {
        struct epoll_event event = { .events = events, .data.ptr = &l->sockets[i].watch };
        (void)epoll_ctl(l->epoll, EPOLL_CTL_MOD, l->sockets[i].fd, &event);
    }
    l->paused = events == 0;
}

static void pause_accepting(pw_listener *l)
{
    if (l->spare < 0)
        l->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    listen_events(l, 0);
    l->resume_accept_ms = l->now_ms + ACCEPT_PAUSE_MS;
}

static void accept_from(pw_listener *l, int from)
{
    for (int i = 0; i < ACCEPTS && !l->paused; i++) {
        struct sockaddr_storage address;
        socklen_t len = sizeof address;
        int fd = accept4(from, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take_in(l, fd, (const struct sockaddr *)&address, len);
            continue;
        }
        if (errno == EAGAIN)
            return;
        if ((errno == EMFILE || errno == ENFILE) && shed(l, from))
            continue;
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            pause_accepting(l);
        /* else: that connection is gone already */
    }
}

/* ---- events */

static void connection_moved(pw_listener *l, pw_connection *c, uint32_t events)
{
    c->active_ms = l->now_ms;
    if (c->phase == PHASE_WORKING && events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        pw_exchange_lost(c->exchange);
    if (events & EPOLLRDHUP &&
        !c->ended_ms) { /* libmicrohttpd would wait for the rest of a first line */
        c->ended_ms = l->now_ms;
        pw_http_schedule(c);
    }
    if (c->phase == PHASE_IDLE && events & EPOLLIN && unread(c)) {
        c->phase = PHASE_READING;
        c->begun_ms = l->now_ms;
        pw_http_schedule(c);
    }
}

static void event_came(pw_listener *l, pw_watch *what, uint32_t events)
{
    switch (*what) {
    case WATCH_SHARE:
        make_due(l, (pw_share *)what);
        break;
    case WATCH_WAKE: {
        uint64_t count = 0;
        ssize_t got = read(l->wake, &count, sizeof count);
        (void)got;
        break;
    }
    case WATCH_SOCKET: /* later: who comes may get the place of one who goes in this round */
        break;
    case WATCH_CONNECTION:
        connection_moved(l, (pw_connection *)what, events);
        break;
    case WATCH_LINGER:
        if (((pw_linger *)what)->fd >= 0)
            linger_read(l, (pw_linger *)what);
        break;
    }
}

static int wait_ms(pw_listener *l)
{
    if (l->due_count)
        return 0;
    uint64_t until = l->heap_count ? l->heap[0]->due_ms : UINT64_MAX;
    if (l->paused && l->resume_accept_ms < until)
        until = l->resume_accept_ms;
    for (size_t i = 0; i < PW_HTTP_LINGERING && l->linger_count; i++)
        if (l->lingering[i].fd >= 0 && l->lingering[i].until_ms < until)
            until = l->lingering[i].until_ms;
    if (until == UINT64_MAX)
        return -1;
    uint64_t now = pw_http_now_ms();
    return until <= now ? 0 : until - now > 60000 ? 60000 : (int)(until - now);
}

static void wait_for_events(pw_listener *l)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(l->epoll, events, EVENTS, wait_ms(l));
    PW_ASSERT(count >= 0 || errno == EINTR);
    l->now_ms = pw_http_now_ms();
    for (int i = 0; i < count; i++)
        event_came(l, events[i].data.ptr, events[i].events);
    for (int i = 0; i < count;
         i++) { /* nobody was freed by the above, which the last of `events` may be about */
        const pw_watch *what = events[i].data.ptr;
        if (*what == WATCH_SOCKET)
            accept_from(l, ((const pw_socket *)what)->fd);
    }
    look_at_times(l);
    look_at_lingering(l);
    if (l->paused && l->resume_accept_ms <= l->now_ms)
        listen_events(l, EPOLLIN);
}

/* ---- the end */

static void begin_draining(pw_listener *l)
{
    l->draining = true;
    l->paused = false;
    for (size_t i = 0; i < l->socket_count; i++)
        (void)close(l->sockets[i].fd);
    l->socket_count = 0;
    for (size_t i = 0; i < l->heap_count; i++) {
        pw_connection *c = l->heap[i];
        if (c->phase == PHASE_IDLE)
            pw_http_cut(c);
        if (c->phase == PHASE_WORKING)
            pw_exchange_stop(c->exchange);
    }
    (void)pthread_mutex_lock(&l->lock);
    l->shut = true;
    (void)pthread_cond_broadcast(&l->less);
    (void)pthread_mutex_unlock(&l->lock);
}

void pw_http_take_posts(pw_listener *l)
{
    for (;;) {
        (void)pthread_mutex_lock(&l->lock);
        pw_exchange *x = l->posts;
        bool answered = x && x->state == EXCHANGE_ANSWERED;
        if (x) {
            x->posted = false;
            l->posts = x->post_next;
            if (!l->posts)
                l->posts_end = &l->posts;
        }
        (void)pthread_mutex_unlock(&l->lock);
        if (!x)
            return;
        if (answered) {
            make_due(l, x->connection->share);
            MHD_resume_connection(x->connection->mhd);
        } else {
            pw_http_schedule(x->connection);
        }
    }
}

void *pw_http_loop(void *listener)
{
    pw_listener *l = listener;
    for (;;) {
        (void)pthread_mutex_lock(&l->lock);
        bool stopping = l->stopping, quit = l->quit;
        (void)pthread_mutex_unlock(&l->lock);
        if (stopping && !l->draining)
            begin_draining(l);
        pw_http_take_posts(l);
        pw_http_run_shares(l);
        if (quit)
            return NULL;
        wait_for_events(l);
    }
}
