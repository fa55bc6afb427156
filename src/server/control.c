/* control.c - commands from other processes, by a Unix socket beside the store.
 *
 * The socket is PATH-sock, for this user only (mode 0600, and the kernel's word on who connects).
 * The owner's lock on the store proves that a socket found there is a dead one's, so it is
 * replaced. A connection carries one request and one answer, each one line of JSON, and is closed.
 *
 *     acceptors (1 to 16 threads): accept -> read a line -> pw_command_execute -> write a line
 *
 * An acceptor that takes a connection while no other is idle makes one more first, up to the limit;
 * above it connections wait in the kernel's line. A client that is slow or silent loses its
 * connection, and one that goes away ends its wait. Closing wakes everybody, lets commands that
 * were read finish and be answered, and joins the threads. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "server/server.h"

enum {
    SILENCE_MS = 10000, /* a client that sends or takes nothing for so long is dropped */
    STACK_SIZE = 1 << 20,
    BACKLOG = 128,
};

typedef struct acceptor {
    struct pawl_control *control;
    pthread_t thread;
    int fd; /* of the connection being served; -1: none. Under the lock */
} acceptor;

struct pawl_control {
    pawl *p;
    char *path; /* of the socket */
    int listener;
    int directory; /* the socket's, for a path too long for an address; -1: not needed */
    dev_t device;  /* of the socket, so that closing removes ours only */
    ino_t inode;
    atomic_bool stopping; /* seq_cst: read seldom, and never with another variable */
    pthread_mutex_t lock;
    unsigned idle;  /* acceptors waiting in accept */
    unsigned count; /* acceptors made */
    acceptor acceptors[PW_CONTROL_CONNECTIONS];
};

/* ---- where the socket is */

/* The path of the store's file, resolved, so that all names of one store lead to one socket. */
static pawl_code socket_path(char **out, const char *store, pawl_error *err)
{
    const char *path = store;
    if (strncmp(path, "sqlite:", 7) == 0)
        path += 7;
    else if (strcmp(path, "memory:") == 0 || strstr(path, "://"))
        return pw_fail(err, PAWL_INVALID, "'%s' is not a file, so it has no socket beside it",
                       store);
    if (path[0] == '\0')
        return pw_fail(err, PAWL_INVALID, "the store is not a file, so it has no socket beside it");
    char *real = realpath(path, NULL);
    if (!real && errno == ENOMEM)
        return pw_no_memory(err);
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, real ? real : path);
    pw_buf_text(&buf, "-sock");
    free(real);
    *out = pw_buf_take(&buf);
    return *out ? PAWL_OK : pw_no_memory(err);
}

/* An address holds 107 bytes. A longer path goes by a handle of its directory, which must stay open
 * while the address is used: *directory, -1 if there is no need. */
static pawl_code socket_address(struct sockaddr_un *out, int *directory, const char *path,
                                pawl_error *err)
{
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    *directory = -1;
    size_t len = strlen(path);
    if (len < sizeof out->sun_path) {
        memcpy(out->sun_path, path, len + 1);
        return PAWL_OK;
    }
    const char *slash = strrchr(path, '/');
    char *parent = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (!parent)
        return pw_no_memory(err);
    int fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int failed = errno;
    free(parent);
    if (fd < 0)
        return pw_fail_native(err, failed == ENOENT ? PAWL_NOT_FOUND : PAWL_IO, failed,
                              "cannot open the directory of '%s': %s", path, strerror(failed));
    int n = snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d/%s", fd,
                     slash ? slash + 1 : path);
    if (n < 0 || (size_t)n >= sizeof out->sun_path) {
        (void)close(fd);
        return pw_fail(
            err, PAWL_IO,
            "the store's file name is too long for a socket beside it: at most 80 bytes");
    }
    *directory = fd;
    return PAWL_OK;
}

/* ---- lines, with limits of size and time */

static int64_t monotonic_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* True when the socket is ready. False: the deadline passed (errno ETIMEDOUT) or it failed. */
static bool ready(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms == INT64_MAX ? -1 : deadline_ms - monotonic_ms();
        if (deadline_ms != INT64_MAX && left <= 0) {
            errno = ETIMEDOUT;
            return false;
        }
        struct pollfd poll_fd = { .fd = fd, .events = events };
        int n = poll(&poll_fd, 1, left > 60000 ? 60000 : (int)left);
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

/* Writes all. Each piece must be taken within silence_ms; 0: no limit. False: errno says why. */
static bool send_all(int fd, const char *bytes, size_t len, uint64_t silence_ms,
                     int64_t deadline_ms)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            return false;
        int64_t until = silence_ms ? monotonic_ms() + (int64_t)silence_ms : INT64_MAX;
        if (!ready(fd, POLLOUT, until < deadline_ms ? until : deadline_ms))
            return false;
    }
    return true;
}

typedef enum line_end { LINE_WHOLE, LINE_CLOSED, LINE_TOO_LONG, LINE_LATE, LINE_FAILED } line_end;

/* Reads up to a newline, which is not kept. LINE_FAILED: errno says why. */
static line_end receive_line(int fd, pw_buf *line, size_t most, uint64_t silence_ms,
                             int64_t deadline_ms)
{
    char piece[16 << 10];
    for (;;) {
        ssize_t n = recv(fd, piece, sizeof piece, MSG_DONTWAIT);
        if (n > 0) {
            char *newline = memchr(piece, '\n', (size_t)n);
            pw_buf_add(line, piece, newline ? (size_t)(newline - piece) : (size_t)n);
            if (line->failed || line->len > most)
                return LINE_TOO_LONG;
            if (newline)
                return LINE_WHOLE;
            continue;
        }
        if (n == 0)
            return LINE_CLOSED;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return LINE_FAILED;
        int64_t until = silence_ms ? monotonic_ms() + (int64_t)silence_ms : INT64_MAX;
        if (!ready(fd, POLLIN, until < deadline_ms ? until : deadline_ms))
            return errno == ETIMEDOUT ? LINE_LATE : LINE_FAILED;
    }
}

/* ---- the owner's side: one connection */

static bool peer_is_allowed(int fd)
{
    struct ucred peer = { 0 };
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return false;
    return peer.uid == geteuid() || peer.uid == 0;
}

/* Nobody is there to hear the end of a wait. */
static bool stop_waiting(void *context)
{
    const acceptor *a = context;
    if (atomic_load(&a->control->stopping))
        return true;
    struct pollfd poll_fd = { .fd = a->fd }; /* only this thread changes it */
    return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLHUP | POLLERR)) != 0;
}

static void answer_error(int fd, pawl_code code, const char *message)
{
    char text[256]; /* our own words: nothing to escape */
    int n = snprintf(text, sizeof text, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n",
                     pawl_code_name(code), message);
    if (n > 0 && (size_t)n < sizeof text)
        (void)send_all(fd, text, (size_t)n, SILENCE_MS, INT64_MAX);
}

static void serve(acceptor *a)
{
    int fd = a->fd;
    if (!peer_is_allowed(fd)) {
        answer_error(fd, PAWL_INVALID, "this store belongs to another user");
        return;
    }
    pw_buf line;
    pw_buf_init(&line, PW_CONTROL_REQUEST_MAX + (64 << 10));
    line_end end = receive_line(fd, &line, PW_CONTROL_REQUEST_MAX, SILENCE_MS, INT64_MAX);
    if (end == LINE_TOO_LONG) {
        answer_error(fd, PAWL_INVALID, "a request is at most 16 MiB, on one line");
    } else if (end == LINE_LATE) {
        answer_error(fd, PAWL_TIMEOUT, "no request came, or not the end of its line");
    } else if (end == LINE_WHOLE) {
        char *answer = NULL;
        pawl_error err;
        if (pw_command_execute(a->control->p, pw_buf_view(&line), stop_waiting, a, &answer, &err) !=
            PAWL_OK) {
            answer_error(fd, PAWL_NO_MEMORY, "out of memory");
        } else if (send_all(fd, answer, strlen(answer), SILENCE_MS, INT64_MAX)) {
            (void)send_all(fd, "\n", 1, SILENCE_MS, INT64_MAX);
        }
        pawl_free(answer);
    }
    pw_buf_done(&line);
}

static void *accept_loop(void *argument);

/* One more acceptor, under the lock. Without it connections wait a little longer: no error. */
static void add_acceptor(pawl_control *control)
{
    if (control->count == PW_CONTROL_CONNECTIONS)
        return;
    acceptor *a = &control->acceptors[control->count];
    *a = (acceptor){ .control = control, .fd = -1 };
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return;
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the host program's */
    if (pthread_create(&a->thread, &attributes, accept_loop, a) == 0) {
        control->count++;
        control->idle++;
        (void)pthread_setname_np(a->thread, "pawl-control");
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
}

static void *accept_loop(void *argument)
{
    acceptor *a = argument;
    pawl_control *control = a->control;
    while (!atomic_load(&control->stopping)) {
        int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
                struct timespec pause = { .tv_nsec = 100 * 1000000 }; /* somebody will close one */
                (void)nanosleep(&pause, NULL);
            }
            continue; /* closing is noticed above; the others concern one connection */
        }
        (void)pthread_mutex_lock(&control->lock);
        a->fd = fd;
        if (--control->idle == 0 && !atomic_load(&control->stopping))
            add_acceptor(control);
        if (atomic_load(&control->stopping))
            (void)shutdown(fd, SHUT_RD); /* close came before it could see this one */
        (void)pthread_mutex_unlock(&control->lock);
        serve(a);
        (void)pthread_mutex_lock(&control->lock);
        a->fd = -1;
        control->idle++;
        (void)pthread_mutex_unlock(&control->lock);
        (void)close(fd);
    }
    return NULL;
}

/* ---- the owner's side: opening and closing */

/* Removes a dead owner's socket. Anything else in its place is somebody's file. */
static pawl_code remove_stale(const char *path, pawl_error *err)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return PAWL_OK; /* none; another reason comes up when binding */
    if (!S_ISSOCK(info.st_mode))
        return pw_fail(err, PAWL_IO, "'%s' is in the way of the store's socket: move it", path);
    if (unlink(path) != 0 && errno != ENOENT)
        return pw_fail_native(err, PAWL_IO, errno, "cannot replace the old socket '%s': %s", path,
                              strerror(errno));
    return PAWL_OK;
}

static pawl_code listen_beside(pawl_control *control, pawl_error *err)
{
    struct sockaddr_un address;
    pawl_code code = remove_stale(control->path, err);
    if (code == PAWL_OK)
        code = socket_address(&address, &control->directory, control->path, err);
    if (code != PAWL_OK)
        return code;
    control->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (control->listener < 0)
        return pw_fail_native(err, PAWL_IO, errno, "cannot make a socket: %s", strerror(errno));
    /* Before it has a name: there is no moment in which others may connect. */
    (void)fchmod(control->listener, 0600);
    struct stat info;
    if (bind(control->listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(address.sun_path, 0600) != 0 || lstat(address.sun_path, &info) != 0 ||
        listen(control->listener, BACKLOG) != 0)
        return pw_fail_native(err, PAWL_IO, errno, "cannot listen at '%s': %s", control->path,
                              strerror(errno));
    control->device = info.st_dev;
    control->inode = info.st_ino;
    return PAWL_OK;
}

PAWL_API pawl_code pawl_control_open(pawl_control **out, pawl *p, pawl_error *err)
{
    if (!out || !p)
        return pw_fail(err, PAWL_INVALID, "pawl_control_open needs a pawl");
    pawl_control *control = pw_zalloc(sizeof *control);
    if (!control)
        return pw_no_memory(err);
    control->p = p;
    control->listener = control->directory = -1;
    (void)pthread_mutex_init(&control->lock, NULL);
    pawl_code code = socket_path(&control->path, pawl_store(p), err);
    if (code == PAWL_OK)
        code = listen_beside(control, err);
    if (code != PAWL_OK) {
        pawl_control_close(control);
        return code;
    }
    (void)pthread_mutex_lock(&control->lock);
    add_acceptor(control);
    unsigned count = control->count;
    (void)pthread_mutex_unlock(&control->lock);
    if (count == 0) {
        pawl_control_close(control);
        return pw_fail(err, PAWL_NO_MEMORY, "cannot start a thread for the store's socket");
    }
    *out = control;
    return PAWL_OK;
}

PAWL_API void pawl_control_close(pawl_control *control)
{
    if (!control)
        return;
    struct stat info;
    if (control->inode != 0 && lstat(control->path, &info) == 0 && info.st_ino == control->inode &&
        info.st_dev == control->device)
        (void)unlink(control->path); /* while we still own the store: nobody else's is there */
    (void)pthread_mutex_lock(&control->lock);
    atomic_store(&control->stopping, true);
    if (control->listener >= 0)
        (void)shutdown(control->listener, SHUT_RDWR); /* wakes accept */
    unsigned count = control->count; /* final: none is added once stopping is set */
    for (unsigned i = 0; i < count; i++) {
        if (control->acceptors[i].fd >= 0)
            (void)shutdown(control->acceptors[i].fd, SHUT_RD); /* what was read is answered */
    }
    (void)pthread_mutex_unlock(&control->lock);
    for (unsigned i = 0; i < count; i++)
        (void)pthread_join(control->acceptors[i].thread, NULL);
    if (control->listener >= 0)
        (void)close(control->listener);
    if (control->directory >= 0)
        (void)close(control->directory);
    (void)pthread_mutex_destroy(&control->lock);
    pw_free(control->path);
    pw_free(control);
}

/* ---- the other processes' side */

static pawl_code nobody(const char *path, pawl_error *err)
{
    return pw_fail(err, PAWL_NOT_FOUND, "nobody takes commands at '%s'", path);
}

static pawl_code connect_to(int *out, const char *path, pawl_error *err)
{
    struct sockaddr_un address;
    int directory = -1;
    pawl_code code = socket_address(&address, &directory, path, err);
    if (code != PAWL_OK)
        return code;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failed = fd < 0 ? errno : 0;
    while (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        failed = errno;
        if (failed != EINTR)
            break;
        failed = 0;
    }
    if (directory >= 0)
        (void)close(directory);
    if (failed == 0) {
        *out = fd;
        return PAWL_OK;
    }
    if (fd >= 0)
        (void)close(fd);
    if (failed == ENOENT || failed == ECONNREFUSED || failed == ENOTDIR)
        return nobody(path, err);
    return pw_fail_native(err, PAWL_IO, failed, "cannot connect to the owner at '%s': %s", path,
                          strerror(failed));
}

/* The owner reads the whole line before it acts, so an unfinished line, or a connection that was
 * reset before it was accepted, is a command that was not carried out. */
static pawl_code exchange(int fd, const char *path, const pw_buf *line, int64_t deadline_ms,
                          pw_buf *answer, pawl_error *err)
{
    if (!send_all(fd, line->ptr, line->len, 0, deadline_ms)) {
        if (errno == EPIPE || errno == ECONNRESET)
            return nobody(path, err);
        return errno == ETIMEDOUT
                   ? pw_fail(err, PAWL_TIMEOUT, "the owner at '%s' did not take the command", path)
                   : pw_fail_native(err, PAWL_IO, errno, "cannot send to the owner at '%s': %s",
                                    path, strerror(errno));
    }
    switch (receive_line(fd, answer, PW_CONTROL_ANSWER_MAX, 0, deadline_ms)) {
    case LINE_WHOLE:
        return PAWL_OK;
    case LINE_TOO_LONG:
        return pw_fail(err, PAWL_IO, "the owner's answer is larger than 256 MiB");
    case LINE_LATE:
        return pw_fail(err, PAWL_TIMEOUT,
                       "the owner at '%s' has not answered; the command may have been carried out",
                       path);
    case LINE_FAILED:
        if (errno == ECONNRESET)
            return nobody(path, err);
        return pw_fail_native(err, PAWL_IO, errno, "cannot read from the owner at '%s': %s", path,
                              strerror(errno));
    case LINE_CLOSED:
        break;
    }
    return pw_fail(err, PAWL_IO,
                   "the owner at '%s' ended before it answered; the command may have been carried "
                   "out: look, then decide",
                   path);
}

/* The request on one line, checked: a newline inside would end it early. */
static pawl_code one_line(pw_buf *line, const char *request, pawl_error *err)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value value;
    pawl_code code = pw_json_parse(&value, pw_str_of(request), NULL, &arena, err);
    if (code == PAWL_OK) {
        pw_json_write(line, value, PW_JSON_COMPACT);
        pw_buf_char(line, '\n');
        if (line->failed || line->len > PW_CONTROL_REQUEST_MAX)
            code = pw_fail(err, PAWL_INVALID, "a request is at most 16 MiB");
    }
    pw_arena_done(&arena);
    return code;
}

PAWL_API pawl_code pawl_control_call(const char *store, const char *request, uint64_t timeout_ms,
                                     char **answer, pawl_error *err)
{
    if (!store || !request || !answer)
        return pw_fail(err, PAWL_INVALID,
                       "pawl_control_call needs a store, a request and an answer");
    pw_buf line, text;
    pw_buf_init(&line, 0);
    pw_buf_init(&text, 0);
    char *path = NULL;
    int fd = -1;
    int64_t deadline_ms = INT64_MAX;
    if (timeout_ms > 0 && timeout_ms < INT64_MAX / 2)
        deadline_ms = monotonic_ms() + (int64_t)timeout_ms;
    pawl_code code = socket_path(&path, store, err);
    if (code == PAWL_OK)
        code = one_line(&line, request, err);
    if (code == PAWL_OK)
        code = connect_to(&fd, path, err);
    if (code == PAWL_OK)
        code = exchange(fd, path, &line, deadline_ms, &text, err);
    if (code == PAWL_OK) {
        char *taken = pw_buf_take(&text);
        if (taken)
            *answer = taken;
        else
            code = pw_no_memory(err);
    }
    if (fd >= 0)
        (void)close(fd);
    pw_buf_done(&line);
    pw_buf_done(&text);
    pw_free(path);
    return code;
}
