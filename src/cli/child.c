/* child.c - see child.h.
 *
 * The thread that starts a process feeds it and reads it until its end: one poll() over its three
 * pipes and its pidfd. It has a process group of its own, so that all of it can be told to end and
 * a signal of the terminal's does not reach it; and it is told to end when we die. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/close_range.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/child.h"

enum {
    GRACE_MS = 5000, /* from SIGTERM to SIGKILL */
    PIECE = 64 << 10,
    IN = 0,
    OUT = 1,
    ERR = 2,
    END = 3, /* its pidfd */
};

typedef struct running {
    const child_options *options;
    child_end *end;
    pid_t pid;
    int fds[4]; /* our ends; -1: closed */
    size_t fed;
    size_t tail_len;
    int64_t killed_ms; /* when it was told to end; 0: not yet */
    bool killed_hard;
} running;

static int64_t monotonic_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

char *child_find(const char *name)
{
    if (strchr(name, '/')) {
        if (access(name, X_OK) != 0)
            return NULL;
        return pw_strdup(pw_str_of(name));
    }
    const char *path = getenv("PATH");
    int why = ENOENT;
    for (const char *at = path && *path ? path : "/usr/local/bin:/bin:/usr/bin"; *at;) {
        size_t len = strcspn(at, ":");
        pw_buf buf;
        pw_buf_init(&buf, 0);
        pw_buf_printf(&buf, "%.*s%s%s", (int)len, at, len ? "/" : "./", name);
        char *file = pw_buf_take(&buf);
        if (!file)
            return NULL;
        if (access(file, X_OK) == 0)
            return file;
        if (errno == EACCES)
            why = EACCES;
        pw_free(file);
        at += len + (at[len] == ':' ? 1 : 0);
    }
    errno = why;
    return NULL;
}

/* ---- beginning */

static void shut(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* In the new process: only what is safe between fork and exec. */
_Noreturn static void become(const child_options *options, const int theirs[3], pid_t parent,
                             int failure)
{
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(127); /* it died before it could be noticed */
    sigset_t none;
    (void)sigemptyset(&none);
    static const int ours[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
    for (size_t i = 0; i < PW_LENGTH(ours); i++)
        (void)signal(ours[i], SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)close_range(3, ~0u, CLOSE_RANGE_CLOEXEC); /* libraries leave some open */
    if (dup2(theirs[IN], 0) >= 0 && dup2(theirs[OUT], 1) >= 0 && dup2(theirs[ERR], 2) >= 0)
        (void)execve(options->path, options->argv, options->env);
    int why = errno;
    ssize_t n = write(failure, &why, sizeof why);
    _exit(n > 0 ? 126 : 127);
}

/* A pipe whose ends are closed in programs that are started meanwhile, and above the standard ones.
 */
static bool make_pipe(int fds[2])
{
    fds[0] = fds[1] = -1;
    return pipe2(fds, O_CLOEXEC) == 0;
}

/* errno of why it did not start; 0: it runs. */
static int begin(running *r)
{
    int in[2], out[2], err[2], failure[2];
    bool made = make_pipe(in);
    made = make_pipe(out) && made;
    made = make_pipe(err) && made;
    made = make_pipe(failure) && made;
    int why = made ? 0 : errno;
    pid_t parent = getpid();
    if (made) {
        r->pid = fork();
        if (r->pid == 0)
            become(r->options, (const int[]){ in[0], out[1], err[1] }, parent, failure[1]);
        if (r->pid < 0)
            why = errno;
    }
    shut(&in[0]);
    shut(&out[1]);
    shut(&err[1]);
    shut(&failure[1]);
    if (why == 0) {
        (void)setpgid(r->pid, r->pid); /* whoever is first */
        while (read(failure[0], &why, sizeof why) < 0 && errno == EINTR)
            continue;
        if (why != 0)
            (void)waitpid(r->pid, NULL, 0);
    }
    shut(&failure[0]);
    r->fds[IN] = in[1];
    r->fds[OUT] = out[0];
    r->fds[ERR] = err[0];
    r->fds[END] = why == 0 ? pidfd_open(r->pid, 0) : -1;
    if (why == 0 && r->fds[END] < 0) {
        why = errno;
        (void)kill(-r->pid, SIGKILL);
        (void)waitpid(r->pid, NULL, 0);
    }
    for (int i = IN; i <= ERR; i++) {
        if (r->fds[i] >= 0)
            (void)fcntl(r->fds[i], F_SETFL, O_NONBLOCK);
    }
    return why;
}

/* ---- while it runs */

static void feed(running *r)
{
    pw_str input = r->options->input;
    while (r->fed < input.len) {
        ssize_t n = write(r->fds[IN], input.ptr + r->fed, input.len - r->fed);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            break; /* it reads no more: its right */
        r->fed += (size_t)n;
    }
    shut(&r->fds[IN]);
}

static void keep_tail(running *r, const char *bytes, size_t len)
{
    if (len > CHILD_TAIL) {
        bytes += len - CHILD_TAIL;
        len = CHILD_TAIL;
    }
    size_t keep = r->tail_len + len > CHILD_TAIL ? CHILD_TAIL - len : r->tail_len;
    memmove(r->end->tail, r->end->tail + r->tail_len - keep, keep);
    memcpy(r->end->tail + keep, bytes, len);
    r->tail_len = keep + len;
    r->end->tail[r->tail_len] = '\0';
}

/* What there is to read; closes at the end. */
static void drain(running *r, int which)
{
    char piece[PIECE];
    for (;;) {
        ssize_t n = read(r->fds[which], piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            shut(&r->fds[which]);
            return;
        }
        if (which == ERR) {
            keep_tail(r, piece, (size_t)n);
            for (ssize_t done = 0, put; done < n; done += put) {
                put = write(STDERR_FILENO, piece + done, (size_t)(n - done));
                if (put <= 0)
                    break;
            }
        } else if (!r->end->too_large) {
            pw_buf_add(&r->end->output, piece, (size_t)n);
            r->end->too_large = r->end->output.failed;
        }
    }
}

static void tell_to_end(running *r)
{
    int64_t now = monotonic_ms();
    if (r->killed_ms == 0) {
        r->killed_ms = now;
        (void)kill(-r->pid, SIGTERM);
    } else if (now - r->killed_ms >= GRACE_MS && !r->killed_hard) {
        r->killed_hard = true;
        (void)kill(-r->pid, SIGKILL);
    }
}

/* True when it has ended. */
static bool turn(running *r, int timeout_ms)
{
    struct pollfd polls[4];
    static const short events[] = { POLLOUT, POLLIN, POLLIN, POLLIN };
    for (int i = 0; i < 4; i++)
        polls[i] = (struct pollfd){ .fd = r->fds[i], .events = events[i] };
    if (poll(polls, 4, timeout_ms) < 0)
        return false; /* a signal: it is looked at by go_on */
    if (r->fds[IN] >= 0 && polls[IN].revents != 0)
        feed(r);
    for (int i = OUT; i <= ERR; i++) {
        if (r->fds[i] >= 0 && polls[i].revents != 0)
            drain(r, i);
    }
    return (polls[END].revents & POLLIN) != 0;
}

static void follow(running *r)
{
    int64_t next_tick = monotonic_ms() + r->options->tick_ms;
    for (bool over = false; !over;) {
        int64_t now = monotonic_ms();
        int64_t left = r->killed_ms ? 100 : next_tick - now;
        over = turn(r, left > 0 ? (int)left : 0);
        if (over)
            break;
        if (monotonic_ms() >= next_tick && !r->end->stopped) {
            r->end->stopped = !r->options->go_on(r->options->context);
            next_tick = monotonic_ms() + r->options->tick_ms;
        }
        if (r->end->stopped || r->end->too_large || r->killed_ms)
            tell_to_end(r);
    }
    for (int i = OUT; i <= ERR; i++) {
        if (r->fds[i] >= 0)
            drain(r, i); /* what it wrote last */
    }
}

void child_run(child_end *out, const child_options *options)
{
    *out = (child_end){ .exit_code = -1 };
    pw_buf_init(&out->output, options->output_max);
    running r = { .options = options, .end = out, .fds = { -1, -1, -1, -1 } };
    out->not_started = begin(&r);
    if (out->not_started == 0) {
        follow(&r);
        int status = 0;
        if (r.killed_ms)
            (void)kill(-r.pid, SIGKILL); /* what is left of its group, while its number is taken */
        while (waitpid(r.pid, &status, 0) < 0 && errno == EINTR)
            continue;
        if (WIFEXITED(status))
            out->exit_code = WEXITSTATUS(status);
        else if (WIFSIGNALED(status))
            out->signal = WTERMSIG(status);
    }
    for (int i = 0; i < 4; i++)
        shut(&r.fds[i]);
}
