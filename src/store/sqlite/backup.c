/* backup.c - a copy of a store while others write to it, and a store made of a copy.
 *
 * Both copy page by page, within one read transaction of a connection of their own: so what is copied is one commit, and nobody
 * waits for it. Until it ends the log cannot begin again, so it grows by what is committed meanwhile. The copy has a name of its
 * own beside its place; it is checked, synced, and then renamed. So at its place there is nothing, or a whole file.
 *
 * A store is replaced by one rename, under the owner's lock. What its log holds is moved into the old file before, and the log taken
 * away: a log beside a file that it does not belong to would be read into it. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite/sqlite_internal.h"

enum {
    PAGES = 256,       /* of one go: 1 MiB of SQLite's usual pages */
    CHECKED = 1000,    /* instructions of SQLite's between two questions whether to stop: a tenth of a millisecond */
    READING_MS = 1000, /* a read of ours takes less */
};

/* ---- reading */

static pawl_code look(pw_connection *source, pw_sqlite_kind *kind, int *version, pawl_error *err)
{
    pawl_code code = pw_connection_exec(source, "BEGIN", err);
    return code == PAWL_OK ? pw_sqlite_identify(source, kind, version, err) : code;
}

/* A connection that reads one commit until it is closed. */
static pawl_code open_source(pw_connection *source, const char *path, pw_store_copy *out, pawl_error *err)
{
    pw_sqlite_kind kind = PW_SQLITE_EMPTY;
    pawl_code code = pw_connection_open(source, path, PW_CONNECT_READ, err);
    if (code == PAWL_OK && (code = look(source, &kind, &out->schema, err)) != PAWL_OK)
        pw_connection_close(source);
    if (code == PAWL_IO && pw_sqlite_has_no_log(path)) { /* as it is on a disk that cannot be written */
        code = pw_connection_open(source, path, PW_CONNECT_IMMUTABLE, err);
        if (code == PAWL_OK && (code = look(source, &kind, &out->schema, err)) != PAWL_OK)
            pw_connection_close(source);
    }
    if (code == PAWL_OK && kind == PW_SQLITE_EMPTY) {
        code = pw_fail(err, PAWL_NOT_FOUND, "'%s' is empty: there is no store in it", source->shown);
        pw_connection_close(source);
    }
    return code;
}

static pawl_code describe(pw_connection *connection, pw_store_copy *out, pawl_error *err)
{
    pw_query q = pw_query_begin(connection, PW_SQLITE_SQL_COPY_COUNT);
    if (pw_query_row(&q))
        out->instances = (uint64_t)pw_column_int(&q, 0, 0);
    int rc = pw_query_end(&q);
    q = pw_query_begin(connection, PW_SQLITE_SQL_INFO_GET);
    if (rc == SQLITE_OK && pw_query_row(&q))
        (void)snprintf(out->generation, sizeof out->generation, "%.*s", sqlite3_column_bytes(q.statement, 0),
                       (const char *)sqlite3_column_text(q.statement, 0));
    int last = pw_query_end(&q);
    rc = rc == SQLITE_OK ? last : rc;
    out->at_ms = pw_sqlite_now_ms();
    return rc == SQLITE_OK ? PAWL_OK : pw_sqlite_fail(connection, rc, "look", err);
}

/* ---- copying */

typedef struct copying {
    const pw_backup_progress *progress; /* NULL: nobody is told */
    uint64_t pages;                     /* that there are */
} copying;

static pawl_code stopped(const pw_connection *target, pawl_error *err)
{
    return pw_fail(err, PAWL_LOST, "'%s': the copy was stopped, and nothing is left of it", target->shown);
}

static pawl_code copy_pages(sqlite3_backup *copy, const pw_connection *source, const pw_connection *target,
                            copying *c, pawl_error *err)
{
    const pw_backup_progress *progress = c->progress;
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK) {
        rc = sqlite3_backup_step(copy, PAGES);
        uint64_t all = (uint64_t)sqlite3_backup_pagecount(copy), left = (uint64_t)sqlite3_backup_remaining(copy);
        c->pages = all;
        PW_FAULT("store-in-copy");
        if ((rc == SQLITE_OK || rc == SQLITE_DONE) && progress && progress->told &&
            !progress->told(progress->context, all - left, all))
            return stopped(target, err);
    }
    if (rc == SQLITE_DONE)
        return PAWL_OK;
    bool damaged = pw_sqlite_code(rc) == PAWL_CORRUPT;
    return pw_sqlite_fail(damaged ? source : target, rc, "copy", err);
}

static pawl_code copy_into(pw_connection *source, pw_connection *target, copying *c, pawl_error *err)
{
    sqlite3_backup *copy = sqlite3_backup_init(target->db, "main", source->db, "main");
    if (!copy)
        return pw_sqlite_fail(target, sqlite3_errcode(target->db), "copy", err);
    pawl_code code = copy_pages(copy, source, target, c, err);
    int rc = sqlite3_backup_finish(copy); /* commits, and syncs */
    return code == PAWL_OK && rc != SQLITE_OK ? pw_sqlite_fail(target, rc, "copy", err) : code;
}

static int is_stopped(void *context)
{
    const copying *c = context;
    return !c->progress->told(c->progress->context, c->pages, c->pages);
}

/* It may take as long as the copy did. */
static pawl_code check_copy(pw_connection *target, bool whole, copying *c, pawl_error *err)
{
    pawl_error why = { .code = PAWL_OK };
    if (c->progress && c->progress->told)
        sqlite3_progress_handler(target->db, CHECKED, is_stopped, c);
    pawl_code code = pw_sqlite_check_file(target, whole, &why);
    sqlite3_progress_handler(target->db, 0, NULL, NULL);
    if (code == PAWL_IO && (why.native & 0xff) == SQLITE_INTERRUPT)
        return stopped(target, err);
    if (code != PAWL_OK && err)
        *err = why;
    return code;
}

/* One file, that needs no log to be read; `id` says what it is. */
static pawl_code mark(pw_connection *target, int id, pawl_error *err)
{
    char sql[80];
    (void)snprintf(sql, sizeof sql, "PRAGMA journal_mode = DELETE; PRAGMA application_id = %d", id);
    return pw_connection_exec(target, sql, err);
}

static pawl_code new_generation(pw_connection *target, pawl_error *err)
{
    static const pw_sqlite_sql others[] = { PW_SQLITE_SQL_RESTORE_NODES, PW_SQLITE_SQL_RESTORE_BULKS };
    char generation[PW_STORE_SECRET_SIZE];
    pawl_code code = pw_store_make_secret(generation, err);
    if (code != PAWL_OK)
        return code;
    pw_query q = pw_query_begin(target, PW_SQLITE_SQL_RESTORE_PAST);
    pw_bind_int(&q, 1, pw_sqlite_now_ms());
    (void)pw_query_row(&q);
    int rc = pw_query_end(&q);
    q = pw_query_begin(target, PW_SQLITE_SQL_RESTORE_GENERATION);
    pw_bind_text(&q, 1, (pw_str){ generation, 32 });
    if (rc == SQLITE_OK)
        (void)pw_query_row(&q);
    int last = pw_query_end(&q);
    rc = rc == SQLITE_OK ? last : rc;
    for (size_t i = 0; i < PW_LENGTH(others) && rc == SQLITE_OK; i++) {
        q = pw_query_begin(target, others[i]);
        (void)pw_query_row(&q);
        rc = pw_query_end(&q);
    }
    return rc == SQLITE_OK ? PAWL_OK : pw_sqlite_fail(target, rc, "restore", err);
}

/* The copy becomes a store of its own. */
static pawl_code make_own(pw_connection *target, int version, copying *c, pawl_error *err)
{
    pawl_code code = mark(target, PW_SQLITE_APPLICATION_ID, err);
    if (code == PAWL_OK && version < PW_SCHEMA_VERSION)
        code = pw_sqlite_upgrade(target, version, err);
    if (code == PAWL_OK)
        code = pw_connection_exec(target, "BEGIN IMMEDIATE", err);
    if (code == PAWL_OK && (code = new_generation(target, err)) == PAWL_OK)
        code = pw_connection_exec(target, "COMMIT", err);
    if (code == PAWL_OK) /* as the schema that it has now says */
        code = check_copy(target, false, c, err);
    return code;
}

/* What is in the file at `path`, copied to `part` and checked; to be a store, or a backup. */
static pawl_code copy(pw_store_copy *out, const char *path, const char *part, bool store, const pw_backup_progress *progress, pawl_error *err)
{
    pw_connection source, target;
    copying c = { .progress = progress };
    pawl_code code = open_source(&source, path, out, err);
    if (code != PAWL_OK)
        return code;
    code = pw_connection_open(&target, part, PW_CONNECT_CREATE, err);
    if (code != PAWL_OK)
        goto close_source;
    code = copy_into(&source, &target, &c, err);
    if (code == PAWL_OK && (code = check_copy(&target, store, &c, err)) == PAWL_CORRUPT)
        (void)pw_fail(err, PAWL_CORRUPT, "%.300s (found in a copy of '%s')", err ? err->message : "", source.shown);
    if (code == PAWL_OK)
        code = store ? make_own(&target, out->schema, &c, err) : mark(&target, PW_SQLITE_BACKUP_ID, err);
    if (code == PAWL_OK)
        code = describe(&target, out, err);
    pw_connection_close(&target);
close_source:
    pw_connection_close(&source);
    return code;
}

/* ---- files */

static pawl_code failed(const char *path, const char *doing, pawl_error *err)
{
    int reason = errno;
    return pw_fail_native(err, reason == ENOMEM ? PAWL_NO_MEMORY : PAWL_IO, reason, "'%.300s': %s: %s", path, doing, strerror(reason));
}

/* On the disk, with its name. */
static pawl_code sync_folder(const char *path, pawl_error *err)
{
    char *text = strdup(path);
    if (!text)
        return pw_no_memory(err);
    int fd = open(dirname(text), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool bad = fd < 0 || fsync(fd) != 0;
    pawl_code code = bad ? failed(path, "its directory cannot be synced", err) : PAWL_OK;
    if (fd >= 0)
        (void)close(fd);
    free(text);
    return code;
}

static pawl_code sync_file(const char *path, uint64_t *bytes, pawl_error *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool bad = fd < 0 || fsync(fd) != 0 || fstat(fd, &info) != 0;
    pawl_code code = bad ? failed(path, "cannot be synced", err) : PAWL_OK;
    if (!bad)
        *bytes = (uint64_t)info.st_size;
    if (fd >= 0)
        (void)close(fd);
    return code;
}

static pawl_code is_there(const char *path, const char *way_out, pawl_error *err)
{
    return pw_fail(err, PAWL_CONFLICT, "'%.300s' is there already: %s", path, way_out);
}

/* Never over another file, whatever comes there meanwhile. */
static pawl_code rename_new(const char *from, const char *to, const char *way_out, pawl_error *err)
{
    int rc = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    if (rc != 0 && (errno == EINVAL || errno == ENOSYS)) { /* this file system cannot */
        rc = link(from, to);
        if (rc == 0)
            (void)unlink(from);
    }
    if (rc == 0)
        return PAWL_OK;
    return errno == EEXIST ? is_there(to, way_out, err) : failed(to, "cannot be made", err);
}

static void remove_part(const char *part)
{
    static const char *const suffixes[] = { "", "-journal", "-wal", "-shm" };
    char *name = NULL;
    for (size_t i = 0; i < PW_LENGTH(suffixes); i++) {
        if (asprintf(&name, "%s%s", part, suffixes[i]) < 0)
            return;
        (void)unlink(name);
        free(name);
    }
}

/* ---- backup */

/* An empty file of a name that nobody else has; only its owner may read it: it holds what the store does. */
static pawl_code make_part(char **out, const char *file, pawl_error *err)
{
    char *part = NULL;
    if (asprintf(&part, "%s.XXXXXX", file) < 0)
        return pw_no_memory(err);
    int fd = mkostemp(part, O_CLOEXEC);
    if (fd < 0) {
        pawl_code code = failed(file, "cannot be made", err);
        free(part);
        return code;
    }
    (void)close(fd);
    *out = part;
    return PAWL_OK;
}

static const char other_name[] = "give the backup another name";

pawl_code pw_sqlite_backup(pw_store_copy *out, pw_str path, pw_str file, const pw_backup_progress *progress, pawl_error *err)
{
    char *from = pw_strdup(path), *to = pw_strdup(file), *real = NULL, *place = NULL, *part = NULL;
    struct stat info;
    *out = (pw_store_copy){ .instances = 0 };
    pawl_code code = from && to ? PAWL_OK : pw_no_memory(err);
    if (code == PAWL_OK)
        code = pw_sqlite_resolve(&real, from, false, err);
    if (code == PAWL_OK)
        code = pw_sqlite_look_at_file(real, false, err);
    if (code == PAWL_OK)
        code = pw_sqlite_resolve(&place, to, true, err);
    if (code == PAWL_OK && lstat(place, &info) == 0)
        code = is_there(to, other_name, err);
    if (code == PAWL_OK)
        code = make_part(&part, place, err);
    if (code != PAWL_OK)
        goto end;
    code = copy(out, real, part, false, progress, err);
    if (code == PAWL_OK)
        code = sync_file(part, &out->bytes, err);
    PW_FAULT("store-before-backup");
    if (code == PAWL_OK)
        code = rename_new(part, place, other_name, err);
    if (code == PAWL_OK)
        code = sync_folder(place, err);
    if (code != PAWL_OK)
        remove_part(part);
    PW_FAULT("store-after-backup");
end:
    free(part);
    pw_free(place);
    pw_free(real);
    pw_free(to);
    pw_free(from);
    return code;
}

/* ---- restore */

static pawl_code empty_log(const char *path, pawl_error *err)
{
    pw_connection old;
    int left = 0, moved = 0;
    pawl_code code = pw_connection_open(&old, path, PW_CONNECT_WRITE, err);
    if (code != PAWL_OK)
        return code;
    (void)sqlite3_busy_timeout(old.db, READING_MS);
    int rc = sqlite3_wal_checkpoint_v2(old.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &left, &moved);
    if ((rc & 0xff) == SQLITE_BUSY)
        code = pw_fail(err, PAWL_BUSY, "'%s' is being read: try again when nobody looks at it", old.shown);
    else if (rc != SQLITE_OK)
        code = pw_sqlite_fail(&old, rc, "replace", err);
    pw_connection_close(&old);
    return code;
}

/* Everything that was committed to the store which is to be replaced is in its file, and its log is gone: who reads it still has
 * files of his own. One that is damaged may be replaced as well, and its log with it. */
static pawl_code settle(const char *path, pawl_error *err)
{
    static const char *const suffixes[] = { "-wal", "-shm" };
    char *name = NULL;
    pawl_code code = empty_log(path, err);
    if (code == PAWL_CORRUPT)
        code = PAWL_OK;
    for (size_t i = 0; i < PW_LENGTH(suffixes) && code == PAWL_OK; i++) {
        if (asprintf(&name, "%s%s", path, suffixes[i]) < 0)
            return pw_no_memory(err);
        if (unlink(name) != 0 && errno != ENOENT)
            code = failed(name, "cannot be removed", err);
        free(name);
    }
    return code;
}

/* The new file is whose the old one was, if we may say so. */
static void take_over(const char *part, const struct stat *old)
{
    if (chown(part, old->st_uid, old->st_gid) != 0)
        (void)!chown(part, (uid_t)-1, old->st_gid);
    (void)chmod(part, old->st_mode & 07777);
}

static const char say_replace[] = "name another store, or replace it (--replace)";

/* Under the owner's lock. */
static pawl_code put_in_place(const char *part, const char *path, bool replace, pawl_error *err)
{
    struct stat old;
    if (stat(path, &old) != 0)
        return rename_new(part, path, say_replace, err);
    if (!replace)
        return is_there(path, say_replace, err);
    take_over(part, &old);
    pawl_code code = settle(path, err);
    PW_FAULT("store-settled");
    if (code == PAWL_OK && rename(part, path) != 0)
        code = failed(path, "cannot be replaced", err);
    return code;
}

/* A store may be replaced, also one that is damaged or newer than we know, and nothing else. */
static pawl_code may_go(const char *path, pawl_error *err)
{
    pw_connection old;
    pw_sqlite_kind kind;
    int version;
    if (access(path, F_OK) != 0)
        return PAWL_OK;
    pawl_code code = pw_sqlite_look_at_file(path, false, err);
    if (code == PAWL_OK && (code = pw_connection_open(&old, path, PW_CONNECT_READ, err)) == PAWL_OK) {
        code = pw_sqlite_identify(&old, &kind, &version, err);
        pw_connection_close(&old);
    }
    if (code == PAWL_INVALID)
        return pw_error_context(err, code, "what is no store is not replaced: if it is to go, remove it first");
    return code == PAWL_CORRUPT || code == PAWL_SCHEMA ? PAWL_OK : code;
}

static pawl_code restore(pw_store_copy *out, const char *file, const char *path, bool replace, const pw_backup_progress *progress, pawl_error *err)
{
    char *part = NULL;
    if (asprintf(&part, "%s-restore", path) < 0)
        return pw_no_memory(err);
    remove_part(part); /* of one that was killed: whoever has the lock has this name */
    pawl_code code = copy(out, file, part, true, progress, err);
    if (code == PAWL_OK)
        code = sync_file(part, &out->bytes, err);
    PW_FAULT("store-before-restore");
    if (code == PAWL_OK)
        code = put_in_place(part, path, replace, err);
    if (code == PAWL_OK)
        code = sync_folder(path, err);
    if (code != PAWL_OK)
        remove_part(part);
    PW_FAULT("store-after-restore");
    free(part);
    return code;
}

pawl_code pw_sqlite_restore(pw_store_copy *out, pw_str file, pw_str path, bool replace, const pw_backup_progress *progress, pawl_error *err)
{
    char *from = pw_strdup(file), *to = pw_strdup(path), *real = NULL, *place = NULL;
    struct stat info;
    int lock = -1;
    *out = (pw_store_copy){ .instances = 0 };
    pawl_code code = from && to ? PAWL_OK : pw_no_memory(err);
    if (code == PAWL_OK)
        code = pw_sqlite_resolve(&real, from, false, err);
    if (code == PAWL_OK)
        code = pw_sqlite_look_at_file(real, false, err);
    if (code == PAWL_OK)
        code = pw_sqlite_resolve(&place, to, true, err);
    if (code == PAWL_OK)
        code = replace ? may_go(place, err) : pw_sqlite_look_at_file(place, true, err);
    if (code == PAWL_OK && strcmp(real, place) == 0)
        code = pw_fail(err, PAWL_INVALID, "'%.300s' cannot be restored from itself: name another store", to);
    if (code == PAWL_OK && !replace && stat(place, &info) == 0)
        code = is_there(to, say_replace, err);
    if (code == PAWL_OK)
        code = pw_sqlite_lock(&lock, place, err);
    if (code == PAWL_OK)
        code = restore(out, real, place, replace, progress, err);
    pw_sqlite_unlock(lock);
    pw_free(place);
    pw_free(real);
    pw_free(to);
    pw_free(from);
    return code;
}

/* ---- check */

pawl_code pw_sqlite_check(pw_store_copy *out, pw_str path, pawl_error *err)
{
    char *given = pw_strdup(path), *real = NULL;
    pw_connection source;
    struct stat info;
    *out = (pw_store_copy){ .instances = 0 };
    pawl_code code = given ? pw_sqlite_resolve(&real, given, false, err) : pw_no_memory(err);
    pw_free(given);
    if (code == PAWL_OK)
        code = pw_sqlite_look_at_file(real, false, err);
    if (code == PAWL_OK && (code = open_source(&source, real, out, err)) == PAWL_OK) {
        code = pw_sqlite_check_file(&source, true, err);
        if (code == PAWL_OK)
            code = describe(&source, out, err);
        pw_connection_close(&source);
    }
    if (code == PAWL_OK && stat(real, &info) == 0)
        out->bytes = (uint64_t)info.st_size;
    pw_free(real);
    return code;
}
