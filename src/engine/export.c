/* export.c - see export.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "engine/export.h"
#include "base/arena.h"
#include "base/moment.h"

enum { WRITE_AT = 64 * 1024, NAMES = 1000 };

void pw_export_init(pw_export *e, const char *folder, int64_t now_ms)
{
    *e = (pw_export){ .folder = folder, .now_ms = now_ms, .fd = -1 };
    pw_buf_init(&e->buf, 0);
}

static pawl_code failed(const char *path, const char *doing, pawl_error *err)
{
    return pw_fail_native(err, PAWL_IO, errno, "'%.300s': %s: %s; nothing is deleted that is not exported", path, doing,
                          strerror(errno));
}

pawl_code pw_export_check(const char *folder, pawl_error *err)
{
    struct stat info;
    if (stat(folder, &info) != 0)
        return pw_fail_native(err, PAWL_INVALID, errno, "cleanup: the export folder '%.300s': %s: make it first", folder,
                              strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return pw_fail(err, PAWL_INVALID, "cleanup: '%.300s' is no folder: name one that rows are exported to", folder);
    if (access(folder, W_OK | X_OK) != 0)
        return pw_fail_native(err, PAWL_INVALID, errno, "cleanup: the export folder '%.300s': %s: allow this user to write it",
                              folder, strerror(errno));
    return PAWL_OK;
}

/* That the file is there is on disk. */
static pawl_code sync_folder(const char *folder, pawl_error *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;
    pawl_code code = done ? PAWL_OK : failed(folder, "sync", err);
    if (fd >= 0)
        (void)close(fd);
    return code;
}

/* "pawl-20270115T080000.000Z.ndjson"; of a second one in the same millisecond "...Z-2.ndjson". */
static pawl_code make_file(pw_export *e, pw_arena *arena, pawl_error *err)
{
    char plain[40];
    size_t len = 0;
    const pw_str moment = pw_moment_text(arena, e->now_ms);
    for (size_t i = 0; i < moment.len && len + 1 < sizeof plain; i++)
        if (moment.ptr[i] != '-' && moment.ptr[i] != ':')
            plain[len++] = moment.ptr[i];
    plain[len] = '\0';
    for (unsigned n = 1; e->fd < 0; n++) {
        const pw_str number = n > 1 ? pw_arena_printf(arena, "-%u", n) : PW_LIT("");
        const pw_str path = pw_arena_printf(arena, "%s/pawl-%s" PW_FMT ".ndjson", e->folder, plain, PW_ARG(number));
        if (arena->failed)
            return pw_no_memory(err);
        e->fd = open(path.ptr, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
        if (e->fd >= 0)
            e->path = pw_strdup(path);
        else if (errno != EEXIST || n == NAMES)
            return failed(path.ptr, "cannot be made", err);
    }
    return e->path ? sync_folder(e->folder, err) : pw_no_memory(err);
}

/* What was written in part, and of what is not deleted, must not be before other lines. */
static void cut(pw_export *e)
{
    e->failed = true;
    pw_buf_reset(&e->buf);
    if (e->fd >= 0 && ftruncate(e->fd, (off_t)e->synced) == 0)
        e->bytes = e->synced;
}

static pawl_code write_all(pw_export *e, pawl_error *err)
{
    size_t at = 0;
    if (e->fd < 0 && e->buf.len > 0) {
        pw_arena arena;
        pw_arena_init(&arena, 0);
        pawl_code code = make_file(e, &arena, err);
        pw_arena_done(&arena);
        if (code != PAWL_OK) {
            e->failed = true;
            return code;
        }
    }
    while (at < e->buf.len) {
        ssize_t n = write(e->fd, e->buf.ptr + at, e->buf.len - at);
        if (n < 0 && errno != EINTR) {
            pawl_code code = failed(e->path, "write", err);
            cut(e);
            return code;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    e->bytes += at;
    pw_buf_reset(&e->buf);
    return PAWL_OK;
}

pawl_code pw_export_row(void *context, pw_str json, pawl_error *err)
{
    pw_export *e = context;
    pw_buf_str(&e->buf, json);
    pw_buf_char(&e->buf, '\n');
    if (e->buf.failed)
        return pw_no_memory(err);
    return e->buf.len >= WRITE_AT ? write_all(e, err) : PAWL_OK;
}

pawl_code pw_export_flush(void *context, pawl_error *err)
{
    pw_export *e = context;
    pawl_code code = write_all(e, err);
    if (code == PAWL_OK && e->fd >= 0 && fdatasync(e->fd) != 0) {
        code = failed(e->path, "sync", err);
        cut(e);
    }
    if (code == PAWL_OK)
        e->synced = e->bytes;
    return code;
}

void pw_export_done(pw_export *e)
{
    if (e->fd >= 0)
        (void)close(e->fd);
    pw_free(e->path);
    pw_buf_done(&e->buf);
}
