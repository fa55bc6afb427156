/* sink_file.c - events are appended to a file, one to a line (NDJSON).
 *
 * Durable     A batch is one write and one fsync; only then its events are TAKEN. What could not be
 * written whole is cut off again, so that a line in the file is always a whole event. Repaired    A
 * crash may leave a line without its end: it is cut off when the file is opened. Its event was not
 * TAKEN, and comes again. A file that does not look like one of ours is refused, not cut. Rotated
 * before a batch that would make it larger than rotate_bytes: renamed to NAME-TIME.ndjson, and a
 * new one begun. A file that somebody else has moved away is left alone, and a new one begun. One
 * writer  PATH-lock is locked as long as the sink is open; a second one is refused. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/moment.h"
#include "drivers/sink_internal.h"
#include "watch/log.h"

#define ROTATE_BYTES (UINT64_C(64) << 20)
enum { NAME_SIZE = 256, TAIL_BLOCK = 4096, TIME_DIGITS = 18 /* 20261123T162100123Z */ };

typedef struct file_sink {
    pw_sink sink;
    const pawl_sink_options *options;
    const char *path;
    uint64_t rotate_bytes;
    int lock, fd;        /* -1: not open */
    uint64_t bytes;      /* of the file: all whole lines */
    char *folder, *stem; /* of the path: "/var/log", "events" of /var/log/events.ndjson */
    const char *ending;  /* ".ndjson", or "" */
    pw_buf buf;
} file_sink;

static pawl_code fail_errno(pawl_error *err, const char *path, const char *what)
{
    int native = errno;
    pawl_code code = native == ENOMEM                                            ? PAWL_NO_MEMORY
                     : native == ENOENT || native == ENOTDIR || native == EISDIR ? PAWL_INVALID
                                                                                 : PAWL_IO;
    return pw_fail_native(err, code, native, "'%.300s' %s: %s", path, what, strerror(native));
}

/* ------------------------------------------------------------------ the file */

/* The end of the last whole line; -1: errno. */
static int64_t whole_lines(int fd, int64_t size)
{
    char block[TAIL_BLOCK];
    for (int64_t end = size; end > 0;) {
        int64_t begin = end > TAIL_BLOCK ? end - TAIL_BLOCK : 0;
        ssize_t len = pread(fd, block, (size_t)(end - begin), begin);
        if (len != end - begin) {
            errno = len < 0 ? errno : EIO;
            return -1;
        }
        const char *newline = memrchr(block, '\n', (size_t)len);
        if (newline)
            return begin + (newline - block) + 1;
        end = begin;
    }
    return 0;
}

static pawl_code repair(file_sink *s, int64_t size, pawl_error *err)
{
    char first = '{', torn = '{';
    int64_t whole = whole_lines(s->fd, size);
    if (whole < 0 || (size > 0 && pread(s->fd, &first, 1, 0) != 1) ||
        (whole < size && pread(s->fd, &torn, 1, whole) != 1))
        return fail_errno(err, s->path, "cannot be read");
    if (first != '{' || torn != '{')
        return pw_fail(err, PAWL_INVALID, "'%.300s' is not a file of events: give another path",
                       s->path);
    s->bytes = (uint64_t)whole;
    if (whole == size)
        return PAWL_OK;
    PW_LOG(PW_LOG_WARNING, "outbox", "sink.repaired",
           "sink '%s': the last line of '%s' was not whole: %lld bytes were cut off; its event "
           "comes again",
           s->options->name, s->path, (long long)(size - whole));
    if (ftruncate(s->fd, whole) != 0 || fsync(s->fd) != 0)
        return fail_errno(err, s->path, "ends with half a line, which cannot be cut off");
    return PAWL_OK;
}

static bool sync_folder(const file_sink *s)
{
    int fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        (void)close(fd);
    return good;
}

static void close_file(file_sink *s)
{
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
}

static pawl_code open_file(file_sink *s, pawl_error *err)
{
    struct stat st;
    s->fd = open(s->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK,
                 0640); /* a FIFO does not hold us up */
    if (s->fd < 0)
        return fail_errno(err, s->path, "cannot be opened");
    pawl_code code = PAWL_OK;
    if (fstat(s->fd, &st) != 0)
        code = fail_errno(err, s->path, "cannot be opened");
    else if (!S_ISREG(st.st_mode))
        code = pw_fail(err, PAWL_INVALID, "'%.300s' is not a file", s->path);
    else if (!sync_folder(s))
        code = fail_errno(err, s->folder, "cannot be synced");
    else
        code = repair(s, st.st_size, err);
    if (code != PAWL_OK)
        close_file(s);
    return code;
}

static pawl_code take_lock(file_sink *s, pawl_error *err)
{
    PW_AUTO(pw_free_text) char *path = NULL;
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_printf(&buf, "%s-lock", s->path);
    path = pw_buf_take(&buf);
    if (!path)
        return pw_no_memory(err);
    s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (s->lock < 0)
        return fail_errno(err, path, "cannot be opened");
    if (flock(s->lock, LOCK_EX | LOCK_NB) == 0)
        return PAWL_OK;
    if (errno == EWOULDBLOCK)
        return pw_fail(err, PAWL_BUSY,
                       "'%.300s' is written by another sink, of this process or of another",
                       s->path);
    return fail_errno(err, path, "cannot be locked");
}

/* ------------------------------------------------------------------ rotation */

/* "events-20261123T162100123Z" + ending: sorts by time. */
static bool rotated_name(const file_sink *s, char out[NAME_SIZE], int64_t ms)
{
    char moment[PW_MOMENT_SIZE], digits[PW_MOMENT_SIZE];
    size_t len = 0;
    pw_moment_write(moment, ms);
    for (const char *c = moment; *c; c++) {
        if (*c != '-' && *c != ':' && *c != '.')
            digits[len++] = *c;
    }
    digits[len] = '\0';
    return snprintf(out, NAME_SIZE, "%s-%s%s", s->stem, digits, s->ending) < NAME_SIZE;
}

static bool is_rotated(const file_sink *s, const char *name)
{
    size_t stem = strlen(s->stem), ending = strlen(s->ending), len = strlen(name);
    if (len != stem + 1 + TIME_DIGITS + 1 + ending || memcmp(name, s->stem, stem) != 0 ||
        name[stem] != '-' || strcmp(name + len - ending, s->ending) != 0)
        return false;
    for (size_t i = 0; i < TIME_DIGITS; i++) {
        char c = name[stem + 1 + i];
        if (i == 8 ? c != 'T' : c < '0' || c > '9')
            return false;
    }
    return name[stem + 1 + TIME_DIGITS] == 'Z';
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Rotated files beyond `keep`, the oldest first. What goes wrong leaves a file too many. */
static void remove_old(const file_sink *s)
{
    if (s->options->keep == 0)
        return;
    DIR *folder = opendir(s->folder);
    char **names = NULL;
    size_t count = 0, size = 0;
    bool good = folder != NULL;
    for (struct dirent *entry; good && (entry = readdir(folder)) != NULL;) {
        if (!is_rotated(s, entry->d_name))
            continue;
        if (count == size) {
            char **more = pw_realloc(names, (size = size ? size * 2 : 16) * sizeof *names);
            good = more != NULL;
            names = more ? more : names;
        }
        good = good && (names[count] = pw_strdup(pw_str_of(entry->d_name))) != NULL;
        count += good;
    }
    if (count)
        qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++) {
        if (good && i + s->options->keep < count)
            (void)unlinkat(dirfd(folder), names[i], 0);
        pw_free(names[i]);
    }
    pw_free(names);
    if (folder)
        (void)closedir(folder);
}

static pawl_code rotate(file_sink *s, pawl_error *err)
{
    struct timespec now;
    char name[NAME_SIZE];
    (void)clock_gettime(CLOCK_REALTIME, &now);
    int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    int folder = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return fail_errno(err, s->folder, "cannot be opened");
    bool good = rotated_name(s, name, ms);
    while (good && faccessat(folder, name, F_OK, 0) == 0) /* two in one millisecond */
        good = rotated_name(s, name, ++ms);
    if (!good)
        errno = ENAMETOOLONG;
    good = good && renameat(AT_FDCWD, s->path, folder, name) == 0;
    pawl_code code = good ? PAWL_OK : fail_errno(err, s->path, "cannot be renamed");
    (void)close(folder);
    if (!good)
        return code;
    close_file(s);
    code = open_file(s, err);
    if (code == PAWL_OK)
        remove_old(s);
    return code;
}

/* Is the open file still the one of the path? */
static bool in_place(const file_sink *s)
{
    struct stat ours, there;
    return s->fd >= 0 && fstat(s->fd, &ours) == 0 && stat(s->path, &there) == 0 &&
           ours.st_dev == there.st_dev && ours.st_ino == there.st_ino &&
           (uint64_t)ours.st_size == s->bytes;
}

static pawl_code make_ready(file_sink *s, size_t bytes, pawl_error *err)
{
    if (!in_place(s)) {
        close_file(s);
        pawl_code code = open_file(s, err);
        if (code != PAWL_OK)
            return code;
    }
    return s->bytes > 0 && s->bytes + bytes > s->rotate_bytes ? rotate(s, err) : PAWL_OK;
}

/* ------------------------------------------------------------------ the table */

static void file_close(pw_sink *sink)
{
    file_sink *s = (file_sink *)sink;
    close_file(s);
    if (s->lock >= 0)
        (void)close(s->lock);
    pw_buf_done(&s->buf);
    pw_free(s->folder);
    pw_free(s->stem);
    pw_free(s);
}

static bool split_path(file_sink *s)
{
    const char *slash = strrchr(s->path, '/'), *name = slash ? slash + 1 : s->path,
               *dot = strrchr(name, '.');
    size_t stem = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    pw_str folder = { s->path, slash ? (size_t)(slash - s->path) : 0 };
    if (folder.len == 0)
        folder = slash ? PW_LIT("/") : PW_LIT(".");
    s->ending = name + stem;
    s->folder = pw_strdup(folder);
    s->stem = pw_strdup((pw_str){ name, stem });
    return s->folder && s->stem;
}

static pawl_code file_open(pw_sink **out, const pawl_sink_options *options, pawl_error *err)
{
    if (!pw_sink_given(options->path))
        return pw_fail(err, PAWL_INVALID,
                       "its path is not given: the file to which events are appended");
    file_sink *s = pw_zalloc(sizeof *s);
    if (!s)
        return pw_no_memory(err);
    *s = (file_sink){ .sink.kind = &pw_sink_file,
                      .options = options,
                      .path = options->path,
                      .rotate_bytes = options->rotate_bytes ? options->rotate_bytes : ROTATE_BYTES,
                      .lock = -1,
                      .fd = -1 };
    pw_buf_init(&s->buf, 0);
    pawl_code code = split_path(s) ? PAWL_OK : pw_no_memory(err);
    if (code == PAWL_OK)
        code = take_lock(s, err);
    if (code == PAWL_OK)
        code = open_file(s, err);
    if (code != PAWL_OK) {
        file_close(&s->sink);
        return code;
    }
    *out = &s->sink;
    return PAWL_OK;
}

static const char *file_target(const pw_sink *sink)
{
    return ((const file_sink *)sink)->path;
}

/* A line end inside the event is white space between its tokens. */
static void add_line(pw_buf *buf, pw_str payload)
{
    size_t at = buf->len;
    pw_buf_str(buf, payload);
    for (; !buf->failed && at < buf->len; at++) {
        if (buf->ptr[at] == '\n' || buf->ptr[at] == '\r')
            buf->ptr[at] = ' ';
    }
    pw_buf_char(buf, '\n');
}

static pawl_code append(file_sink *s, pawl_error *err)
{
    for (size_t done = 0; done < s->buf.len;) {
        ssize_t len = write(s->fd, s->buf.ptr + done, s->buf.len - done);
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return fail_errno(err, s->path, "cannot be written");
        done += (size_t)len;
    }
    if (fsync(s->fd) != 0)
        return fail_errno(err, s->path, "cannot be synced");
    return PAWL_OK;
}

static void file_publish(pw_sink *sink, pw_sink_event *events, size_t count,
                         bool (*stop)(void *context), void *context, pw_arena *arena)
{
    file_sink *s = (file_sink *)sink;
    pawl_error err = { .code = PAWL_OK };
    pw_buf_reset(&s->buf);
    for (size_t i = 0; i < count; i++) {
        events[i].end = PW_SINK_HELD;
        events[i].whole = false;
        add_line(&s->buf, events[i].payload);
    }
    if (stop(context) || count == 0)
        return;
    pawl_code code = s->buf.failed ? pw_no_memory(&err) : make_ready(s, s->buf.len, &err);
    if (code == PAWL_OK)
        code = append(s, &err);
    if (code == PAWL_OK) {
        s->bytes += s->buf.len;
        for (size_t i = 0; i < count; i++)
            events[i].end = PW_SINK_TAKEN;
        return;
    }
    /* After an fsync that failed nobody knows what is on the disk: opened again, it is looked at, and cut
     * if that cannot be done here. */
    bool cut = s->fd < 0 || ftruncate(s->fd, (off_t)s->bytes) == 0;
    (void)cut;
    close_file(s);
    pw_sink_fail_whole(events, count, arena, err.message);
}

const pw_sink_kind pw_sink_file = { "file", file_open, file_publish, file_close, file_target };
