/* log.c - who hears which lines, and their way out.
 *
 * A line is made where it is logged, and put into a ring of bytes; one thread takes it out and writes it with one write(). So a
 * reader that does not read blocks that thread only: the ring fills, and what has no place is dropped and counted.
 *
 * A descriptor is written to only when it can take a line, and a line is no longer than what a pipe takes at once, so the thread never
 * hangs where it could not be told to stop. */
#include <errno.h>
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
#include "watch/log_internal.h"

#define NS_PER_S UINT64_C(1000000000)
enum {
    COMPONENTS_MAX = 64, /* with a level of their own */
    COMPONENT_SIZE = 24,
    RING_SIZE = 512 * 1024,
    KINDS_MAX = 64, /* events of which lines are counted, to sum them up */
    MESSAGE_SIZE = 2048,
    STOP_S = 2,
};

/* ------------------------------------------------------------------ levels */

typedef struct component {
    char name[COMPONENT_SIZE]; /* never changed once it is counted */
    _Atomic int level;         /* NONE: as all others */
} component;
#define NONE (-1)

/* Read without a lock: a slot is for one component for ever. Written under `lock`. */
static component components[COMPONENTS_MAX];
static _Atomic size_t component_count;
static _Atomic int level_of_others = PW_LOG_OFF;
static _Atomic int level_of_any = PW_LOG_OFF; /* the most that anything wants */
static _Atomic bool on;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all that follows, except where it says otherwise */

static component *find_component(pw_str name)
{
    const size_t count = atomic_load_explicit(&component_count, memory_order_acquire);
    for (size_t i = 0; i < count; i++)
        if (pw_str_is(name, components[i].name))
            return &components[i];
    return NULL;
}

bool pw_log_wants(pw_log_level level, const char *name)
{
    if ((int)level > atomic_load_explicit(&level_of_any, memory_order_relaxed))
        return false;
    const component *own = atomic_load_explicit(&component_count, memory_order_relaxed) ? find_component(pw_str_of(name)) : NULL;
    int most = own ? atomic_load_explicit(&own->level, memory_order_relaxed) : NONE;
    if (most == NONE)
        most = atomic_load_explicit(&level_of_others, memory_order_relaxed);
    return level != PW_LOG_OFF && (int)level <= most;
}

typedef struct wish { /* one part of "info,http=debug" */
    pw_str name;      /* empty: of all others */
    pw_log_level level;
} wish;

typedef struct wishes {
    wish list[COMPONENTS_MAX + 1];
    size_t count;
} wishes;

static bool is_component(pw_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.", s.ptr[i]) || s.ptr[i] == '\0')
            return false;
    return s.len > 0 && s.len < COMPONENT_SIZE;
}

static pw_str trimmed(pw_str s)
{
    while (s.len && s.ptr[0] == ' ')
        s.ptr++, s.len--;
    while (s.len && s.ptr[s.len - 1] == ' ')
        s.len--;
    return s;
}

static pawl_code read_wish(wishes *out, pw_str part, pawl_error *err)
{
    const char *sign = part.len ? memchr(part.ptr, '=', part.len) : NULL;
    wish w = { .name = { "", 0 } };
    pw_str word = part;
    if (sign) {
        w.name = trimmed((pw_str){ part.ptr, (size_t)(sign - part.ptr) });
        word = trimmed((pw_str){ sign + 1, part.len - (size_t)(sign + 1 - part.ptr) });
    }
    if (!pw_log_level_of(&w.level, word))
        return pw_fail(err, PAWL_INVALID, "'" PW_FMT "' is no level: off, error, warning, info and debug are, and COMPONENT=LEVEL behind them",
                       PW_ARG(word));
    if (sign && !is_component(w.name))
        return pw_fail(err, PAWL_INVALID, "'" PW_FMT "' is no name of a component: up to %d of a-z, 0-9, '-', '_' and '.'", PW_ARG(w.name),
                       COMPONENT_SIZE - 1);
    for (size_t i = 0; i < out->count; i++)
        if (pw_str_eq(out->list[i].name, w.name))
            return sign ? pw_fail(err, PAWL_INVALID, "there are two levels for '" PW_FMT "'", PW_ARG(w.name))
                        : pw_fail(err, PAWL_INVALID, "there are two levels for all: one, and COMPONENT=LEVEL behind it");
    if (out->count == PW_LENGTH(out->list))
        return pw_fail(err, PAWL_INVALID, "levels for more than %d components", COMPONENTS_MAX);
    out->list[out->count++] = w;
    return PAWL_OK;
}

static pawl_code read_wishes(wishes *out, const char *text, pawl_error *err)
{
    out->count = 0;
    if (strlen(text) >= PW_LOG_LEVELS_MAX)
        return pw_fail(err, PAWL_INVALID, "levels of more than %d bytes", PW_LOG_LEVELS_MAX - 1);
    pawl_code code = PAWL_OK;
    for (const char *at = text; code == PAWL_OK;) {
        const size_t len = strcspn(at, ",");
        code = read_wish(out, trimmed((pw_str){ at, len }), err);
        if (at[len] == '\0')
            break;
        at += len + 1;
    }
    return code;
}

/* Under the lock. Nothing is changed when it fails. */
static pawl_code take_wishes(const wishes *wanted, pawl_error *err)
{
    size_t fresh = 0, known = atomic_load(&component_count);
    for (size_t i = 0; i < wanted->count; i++)
        fresh += wanted->list[i].name.len && !find_component(wanted->list[i].name);
    if (known + fresh > COMPONENTS_MAX)
        return pw_fail(err, PAWL_INVALID, "levels for more than %d components since the start", COMPONENTS_MAX);
    int others = PW_LOG_INFO;
    for (size_t i = 0; i < known; i++)
        atomic_store_explicit(&components[i].level, NONE, memory_order_relaxed);
    for (size_t i = 0; i < wanted->count; i++) {
        const wish *w = &wanted->list[i];
        component *c = w->name.len ? find_component(w->name) : NULL;
        if (w->name.len && !c) {
            c = &components[known++];
            memcpy(c->name, w->name.ptr, w->name.len);
            c->name[w->name.len] = '\0';
            atomic_store(&c->level, NONE);
            atomic_store_explicit(&component_count, known, memory_order_release); /* its name can be read from here on */
        }
        if (c)
            atomic_store_explicit(&c->level, (int)w->level, memory_order_relaxed);
        else
            others = (int)w->level;
    }
    int any = others;
    for (size_t i = 0; i < wanted->count; i++)
        if ((int)wanted->list[i].level > any)
            any = (int)wanted->list[i].level;
    atomic_store_explicit(&level_of_others, others, memory_order_relaxed);
    atomic_store_explicit(&level_of_any, any, memory_order_relaxed);
    return PAWL_OK;
}

void pw_log_levels(char out[PW_LOG_LEVELS_MAX])
{
    (void)pthread_mutex_lock(&lock);
    size_t len = (size_t)snprintf(out, PW_LOG_LEVELS_MAX, "%s",
                                  pw_log_level_name(atomic_load(&on) ? (pw_log_level)atomic_load(&level_of_others) : PW_LOG_OFF));
    for (size_t i = 0; atomic_load(&on) && i < atomic_load(&component_count) && len < PW_LOG_LEVELS_MAX; i++)
        if (atomic_load(&components[i].level) != NONE)
            len += (size_t)snprintf(out + len, PW_LOG_LEVELS_MAX - len, ",%s=%s", components[i].name,
                                    pw_log_level_name((pw_log_level)atomic_load(&components[i].level)));
    (void)pthread_mutex_unlock(&lock);
}

/* ------------------------------------------------------------------ the ring */

typedef struct kind { /* the lines of one event of a component; the name is copied, for who logs may be a host's */
    char component[COMPONENT_SIZE], event[48];
    pw_log_level level;
    uint64_t begun_ns; /* of the window */
    uint64_t lines, left_out;
} kind;

static struct {
    pw_log_format format;
    int fd;
    void (*on_line)(void *context, const char *line);
    void *context;
    int journal; /* a socket; -1: none */
    struct sockaddr_un journal_at;
    pthread_t thread;
    pthread_cond_t changed;
    bool stopping;
    uint64_t stop_ns; /* no later than that */
    char *ring;
    size_t begin, used; /* records: a head, then the line */
    uint64_t missing;   /* lines that were dropped since one was taken */
    kind kinds[KINDS_MAX];
} sink; /* fixed from start to stop: the first six, which the thread reads without the lock */

static atomic_ullong lines[PW_LOG_DEBUG + 1], dropped;

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int64_t clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void ring_write(size_t at, const char *bytes, size_t len)
{
    const size_t first = len < RING_SIZE - at ? len : RING_SIZE - at;
    memcpy(sink.ring + at, bytes, first);
    memcpy(sink.ring, bytes + first, len - first);
}

static void ring_read(size_t at, char *bytes, size_t len)
{
    const size_t first = len < RING_SIZE - at ? len : RING_SIZE - at;
    memcpy(bytes, sink.ring + at, first);
    memcpy(bytes + first, sink.ring, len - first);
}

typedef struct record_head {
    uint64_t tells_of; /* so many lines that were dropped: if this one is, too, they are still to be told of. 0: any other line */
    size_t len;
} record_head;

static bool ring_push(const char *line, size_t len, uint64_t tells_of)
{
    const record_head head = { tells_of, len };
    if (len + sizeof head > RING_SIZE - sink.used)
        return false;
    ring_write((sink.begin + sink.used) % RING_SIZE, (const char *)&head, sizeof head);
    ring_write((sink.begin + sink.used + sizeof head) % RING_SIZE, line, len);
    sink.used += len + sizeof head;
    return true;
}

/* The oldest line; its length is 0: there is none. */
static record_head ring_pop(char *line)
{
    record_head head = { 0, 0 };
    if (sink.used == 0)
        return head;
    ring_read(sink.begin, (char *)&head, sizeof head);
    PW_ASSERT(head.len <= PW_LOG_LINE_MAX && head.len + sizeof head <= sink.used);
    ring_read((sink.begin + sizeof head) % RING_SIZE, line, head.len);
    sink.begin = (sink.begin + sizeof head + head.len) % RING_SIZE;
    sink.used -= head.len + sizeof head;
    return head;
}

static void count_dropped(uint64_t count)
{
    sink.missing += count;
    (void)atomic_fetch_add_explicit(&dropped, count, memory_order_relaxed);
}

/* What the log says of itself. tells_of: as of the record. Under the lock, as all below it. */
static bool push_own(pw_log_level level, const char *event, const char *about, uint64_t count, uint64_t tells_of, const char *message)
{
    char text[PW_LOG_LINE_MAX];
    const pw_log_field fields[] = { PW_LOG_N("lines", count), PW_LOG_S("of", pw_str_of(about)) };
    const pw_log_line line = { .level = level, .component = "log", .event = event, .fields = fields, .field_count = about ? 2 : 1 };
    return ring_push(text, pw_log_text(text, sink.format, clock_ms(), &line, message), tells_of);
}

/* Lines that were dropped, in the first one that is not. */
static void push_missing(void)
{
    if (sink.missing && push_own(PW_LOG_WARNING, "log.dropped", NULL, sink.missing, sink.missing, "lines were dropped: nobody took them in time"))
        sink.missing = 0;
}

static void push(const char *text, size_t len)
{
    push_missing();
    if (sink.missing || !ring_push(text, len, 0))
        count_dropped(1);
}

/* ------------------------------------------------------------------ the same again and again */

static void sum_up(kind *k)
{
    char message[160];
    if (k->left_out) {
        (void)snprintf(message, sizeof message, "%s: %llu more lines within %d s were left out", k->event,
                       (unsigned long long)k->left_out, PW_LOG_SAME_S);
        (void)push_own(k->level, "log.summed", k->event, k->left_out, 0, message);
    }
    k->left_out = k->lines = 0;
}

/* May this line be written, or is it one too many? */
static bool count_kind(const pw_log_line *line)
{
    const uint64_t now = monotonic_ns();
    uint64_t hash = 14695981039346656037u;
    for (const char *c = line->event; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    kind *k = &sink.kinds[hash % KINDS_MAX];
    const bool same = strncmp(k->event, line->event, sizeof k->event - 1) == 0 &&
                      strncmp(k->component, line->component, sizeof k->component - 1) == 0;
    if (!same || now - k->begun_ns >= PW_LOG_SAME_S * NS_PER_S) {
        sum_up(k);
        (void)snprintf(k->component, sizeof k->component, "%s", line->component);
        (void)snprintf(k->event, sizeof k->event, "%s", line->event);
        k->level = line->level;
        k->begun_ns = now;
    }
    if (++k->lines <= PW_LOG_SAME_MAX)
        return true;
    k->left_out++;
    return false;
}

/* Sums up what is over (`all`: everything); when the next one will be. */
static uint64_t sum_up_old(bool all)
{
    uint64_t next = UINT64_MAX, now = monotonic_ns();
    for (size_t i = 0; i < KINDS_MAX; i++) {
        kind *k = &sink.kinds[i];
        const uint64_t end = k->begun_ns + PW_LOG_SAME_S * NS_PER_S;
        if (k->left_out == 0)
            continue;
        if (all || end <= now)
            sum_up(k);
        else if (end < next)
            next = end;
    }
    return next;
}

/* ------------------------------------------------------------------ a line */

void pw_log(const pw_log_line *line, const char *format, ...)
{
    char message[MESSAGE_SIZE], text[PW_LOG_LINE_MAX];
    PW_ASSERT(line->level > PW_LOG_OFF && line->level <= PW_LOG_DEBUG);
    PW_ASSERT(line->component && line->event);
    va_list args;
    va_start(args, format);
    if (vsnprintf(message, sizeof message, format, args) < 0)
        message[0] = '\0';
    va_end(args);
    (void)pthread_mutex_lock(&lock);
    if (atomic_load(&on) && !sink.stopping) {
        (void)atomic_fetch_add_explicit(&lines[line->level], 1, memory_order_relaxed);
        if (line->level == PW_LOG_DEBUG || count_kind(line))
            push(text, pw_log_text(text, sink.format, clock_ms(), line, message));
        (void)pthread_cond_signal(&sink.changed);
    }
    (void)pthread_mutex_unlock(&lock);
}

void pw_log_count(pw_log_counts *counts)
{
    for (size_t i = 0; i < PW_LENGTH(lines); i++)
        counts->lines[i] = atomic_load_explicit(&lines[i], memory_order_relaxed);
    counts->dropped = atomic_load_explicit(&dropped, memory_order_relaxed);
}

/* ------------------------------------------------------------------ the thread that writes */

static bool time_is_over(void)
{
    (void)pthread_mutex_lock(&lock);
    const bool over = sink.stopping && monotonic_ns() >= sink.stop_ns;
    (void)pthread_mutex_unlock(&lock);
    return over;
}

/* Until the descriptor takes a line; false: the time to stop is over. */
static bool wait_writable(int fd)
{
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        const int ready = poll(&p, 1, 100);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return true; /* what is wrong with it, the write will say */
        if (time_is_over())
            return false;
    }
}

static bool write_journal(const char *line, size_t len)
{
    while (sendto(sink.journal, line, len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&sink.journal_at,
                  sizeof sink.journal_at) < 0) {
        if ((errno != EAGAIN && errno != EINTR) || time_is_over())
            return false; /* journald is not there: it is asked again for the next line */
        (void)poll(NULL, 0, 10); /* its queue is full, which poll() does not know of a socket that is not connected */
    }
    return true;
}

static bool write_fd(const char *line, size_t len)
{
    for (size_t done = 0; done < len;) {
        if (!wait_writable(sink.fd))
            return false;
        const ssize_t n = write(sink.fd, line + done, len - done);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Without the lock. False: it could not be written. */
static bool write_line(char *line, size_t len)
{
    if (sink.on_line) {
        line[len - 1] = '\0'; /* instead of the newline */
        sink.on_line(sink.context, line);
        return true;
    }
    return sink.format == PW_LOG_JOURNAL ? write_journal(line, len) : write_fd(line, len);
}

static void wait_for_line(uint64_t until_ns)
{
    const struct timespec until = { .tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S) };
    if (until_ns == UINT64_MAX)
        (void)pthread_cond_wait(&sink.changed, &lock);
    else
        (void)pthread_cond_timedwait(&sink.changed, &lock, &until);
}

static void *run(void *context)
{
    char line[PW_LOG_LINE_MAX];
    bool written = true; /* the line before */
    (void)context;
    (void)pthread_mutex_lock(&lock);
    for (;;) {
        const uint64_t next_ns = sum_up_old(sink.stopping);
        if (sink.stopping && sink.used == 0 && written)
            push_missing(); /* no other line will say it */
        const record_head head = ring_pop(line);
        if (head.len == 0 && sink.stopping)
            break;
        if (head.len == 0) {
            wait_for_line(next_ns);
            continue;
        }
        (void)pthread_mutex_unlock(&lock);
        written = write_line(line, head.len);
        (void)pthread_mutex_lock(&lock);
        if (!written && head.tells_of)
            sink.missing += head.tells_of; /* they were counted */
        else if (!written)
            count_dropped(1);
        if (!written && sink.stopping && monotonic_ns() >= sink.stop_ns)
            break;
    }
    (void)pthread_mutex_unlock(&lock);
    return NULL;
}

/* An assertion failed: what is left, and that, by the thread that it happened to. */
static bool tell_assert(const char *message)
{
    char text[PW_LOG_LINE_MAX];
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1; /* it may be this thread that has it */
    if (!atomic_load(&on) || pthread_mutex_timedlock(&lock, &until) != 0)
        return false;
    sink.stopping = true;
    sink.stop_ns = 0; /* nobody waits for anything now */
    const pw_log_line line = { .level = PW_LOG_ERROR, .component = "base", .event = "assertion.failed" };
    push(text, pw_log_text(text, sink.format, clock_ms(), &line, message));
    (void)pthread_mutex_unlock(&lock);
    bool written = !sink.on_line;
    while (written) {
        (void)pthread_mutex_lock(&lock);
        const size_t len = ring_pop(text).len;
        (void)pthread_mutex_unlock(&lock);
        if (len == 0)
            return true;
        written = write_line(text, len);
    }
    return false;
}

/* ------------------------------------------------------------------ start and stop */

static const char *journal_path(const pw_log_options *options)
{
    return options->journal ? options->journal : "/run/systemd/journal/socket";
}

/* systemd says by JOURNAL_STREAM which of our descriptors leads to its journal. */
static bool leads_to_journal(const pw_log_options *options)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat at;
    char text[64];
    if (!stream || access(journal_path(options), W_OK) != 0 || fstat(options->fd, &at) != 0)
        return false;
    (void)snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)at.st_dev, (unsigned long long)at.st_ino);
    return strcmp(text, stream) == 0;
}

static pw_log_format format_of(const pw_log_options *options)
{
    if (options->format != PW_LOG_AUTO)
        return options->format;
    if (options->on_line)
        return PW_LOG_JSON;
    if (leads_to_journal(options))
        return PW_LOG_JOURNAL;
    return isatty(options->fd) ? PW_LOG_HUMAN : PW_LOG_JSON;
}

static pawl_code open_journal(const pw_log_options *options, pawl_error *err)
{
    const pw_str path = pw_str_of(journal_path(options));
    sink.journal_at = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (path.len >= sizeof sink.journal_at.sun_path)
        return pw_fail(err, PAWL_INVALID, "the path of journald's socket is too long");
    memcpy(sink.journal_at.sun_path, path.ptr, path.len);
    struct stat at;
    if (stat(sink.journal_at.sun_path, &at) != 0)
        return pw_fail_native(err, PAWL_IO, errno, "there is no journald at %s; choose another format of the log", sink.journal_at.sun_path);
    sink.journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return sink.journal < 0 ? pw_fail_native(err, PAWL_IO, errno, "cannot make a socket for journald") : PAWL_OK;
}

static pawl_code start_thread(pawl_error *err)
{
    pthread_condattr_t attributes;
    int failed = pthread_condattr_init(&attributes);
    if (!failed) {
        (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        failed = pthread_cond_init(&sink.changed, &attributes);
        (void)pthread_condattr_destroy(&attributes);
    }
    if (failed)
        return pw_no_memory(err);
    sigset_t all, before; /* signals are the host program's; and a pipe that is closed is no reason to end */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&sink.thread, NULL, run, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        (void)pthread_cond_destroy(&sink.changed);
        return pw_fail_native(err, PAWL_NO_MEMORY, failed, "cannot start the thread of the log");
    }
    (void)pthread_setname_np(sink.thread, "pawl-log");
    return PAWL_OK;
}

/* Who ends without stopping it. A host's own function may have lost what it needs by then. */
static void at_exit(void)
{
    if (!sink.on_line)
        pw_log_stop();
}

static void close_all(void)
{
    if (sink.journal >= 0)
        (void)close(sink.journal);
    sink.journal = -1;
    pw_free(sink.ring);
    sink.ring = NULL;
}

/* Under the lock. */
static pawl_code start(const pw_log_options *options, const wishes *wanted, pawl_error *err)
{
    if (atomic_load(&on))
        return pw_fail(err, PAWL_CONFLICT, "the log is on already; its levels can be changed");
    memset(&sink, 0, sizeof sink);
    sink.format = format_of(options);
    sink.fd = options->fd;
    sink.on_line = options->on_line;
    sink.context = options->context;
    sink.journal = -1;
    sink.ring = pw_alloc(RING_SIZE);
    pawl_code code = sink.ring ? PAWL_OK : pw_no_memory(err);
    if (code == PAWL_OK && sink.format == PW_LOG_JOURNAL && !sink.on_line)
        code = open_journal(options, err);
    if (code == PAWL_OK)
        code = take_wishes(wanted, err);
    if (code == PAWL_OK)
        code = start_thread(err);
    if (code != PAWL_OK) {
        atomic_store(&level_of_any, PW_LOG_OFF);
        close_all();
        return code;
    }
    static bool registered;
    if (!registered)
        registered = atexit(at_exit) == 0;
    atomic_store(&on, true);
    pw_on_assert(tell_assert);
    return PAWL_OK;
}

pawl_code pw_log_start(const pw_log_options *options, pawl_error *err)
{
    wishes wanted;
    pawl_code code = read_wishes(&wanted, options->levels ? options->levels : "info", err);
    if (code != PAWL_OK)
        return code;
    (void)pthread_mutex_lock(&lock);
    code = start(options, &wanted, err);
    (void)pthread_mutex_unlock(&lock);
    return code;
}

pawl_code pw_log_set_levels(const char *levels, pawl_error *err)
{
    wishes wanted;
    pawl_code code = read_wishes(&wanted, levels, err);
    if (code != PAWL_OK)
        return code;
    (void)pthread_mutex_lock(&lock);
    if (atomic_load(&on))
        code = take_wishes(&wanted, err);
    else
        code = pw_fail(err, PAWL_CONFLICT, "the log is not on");
    (void)pthread_mutex_unlock(&lock);
    return code;
}

void pw_log_stop(void)
{
    (void)pthread_mutex_lock(&lock);
    const bool mine = atomic_load(&on) && !sink.stopping;
    if (mine) {
        atomic_store(&level_of_any, PW_LOG_OFF);
        sink.stopping = true;
        sink.stop_ns = monotonic_ns() + STOP_S * NS_PER_S;
        (void)pthread_cond_signal(&sink.changed);
    }
    (void)pthread_mutex_unlock(&lock);
    if (!mine)
        return;
    (void)pthread_join(sink.thread, NULL);
    (void)pthread_mutex_lock(&lock);
    pw_on_assert(NULL);
    (void)pthread_cond_destroy(&sink.changed);
    close_all();
    atomic_store(&on, false);
    (void)pthread_mutex_unlock(&lock);
}
