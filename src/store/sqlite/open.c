/* open.c - opening a store: whose file is it, which schema, who owns it; and closing it.
 *
 * Order, for the owner: the lock, then the file, then what it is - before anything is written, so
 * that another program's database stays untouched - then WAL mode, then a log that was left behind
 * is made durable, then the schema in one transaction. A crash between any two leaves a file that
 * opens again: an empty one is a new store.
 *
 * A reader takes no lock and writes nothing. SQLite needs its -shm file beside a store to read it,
 * and makes it; where the directory cannot be written, a store that was closed properly (no -wal)
 * is read as immutable instead. Should an owner come after all, its -wal tells, and the reader says
 * so. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/sqlite/sqlite_internal.h"

int64_t pw_sqlite_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the file */

static pawl_code no_store(const char *path, pawl_error *err)
{
    return pw_fail(err, PAWL_NOT_FOUND,
                   "there is no store '%.300s': check the path; deploying or running a "
                   "workflow makes one",
                   path);
}

pawl_code pw_sqlite_resolve(char **out, const char *path, bool create, pawl_error *err)
{
    char *real = realpath(path, NULL);
    if (!real && errno == ENOENT && create) {
        char *copy = strdup(path), *base_copy = strdup(path), *parent = NULL;
        if (copy && base_copy && (parent = realpath(dirname(copy), NULL)) != NULL) {
            if (asprintf(&real, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent,
                         basename(base_copy)) < 0)
                real = NULL;
        }
        int reason = errno;
        bool no_memory = !copy || !base_copy || (parent && !real);
        free(copy);
        free(base_copy);
        free(parent);
        if (no_memory)
            return pw_no_memory(err);
        errno = reason;
        if (!real && reason == ENOENT)
            return pw_fail_native(err, PAWL_IO, reason,
                                  "'%.300s': its directory does not exist: make it first", path);
    }
    if (!real) {
        if (errno == ENOENT)
            return no_store(path, err);
        if (errno == ENOMEM)
            return pw_no_memory(err);
        return pw_fail_native(err, PAWL_IO, errno, "'%.300s': %s: check the path", path,
                              strerror(errno));
    }
    *out = pw_strdup(pw_str_of(real));
    free(real);
    return *out ? PAWL_OK : pw_no_memory(err);
}

static pawl_code not_ours(const char *path, const char *why, pawl_error *err)
{
    return pw_fail(err, PAWL_INVALID, "'%.200s' is not a Pawl store (%s): name another file", path,
                   why);
}
#define NO_DATABASE                                                                                \
    "it is no SQLite database, or its first page is damaged: then restore it from a backup"
#define OTHER_PROGRAM "a SQLite database of another program"

/* Reads the first bytes of the file by SQLite's own means, though not as a database: a POSIX lock
 * is lost when its process closes the file, whichever of its openings that is, and where this
 * process has the store open already, SQLite knows to close later. *got: how many there were. */
static int read_header(const char *path, uint8_t *header, int size, int *got)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL); /* NULL: no memory to begin with */
    size_t len = strlen(path);
    char *name = pw_zalloc(len + 4); /* behind it are its parameters: an empty one ends them */
    sqlite3_file *file = vfs ? pw_zalloc((size_t)vfs->szOsFile) : NULL;
    int rc = SQLITE_NOMEM;
    if (name && file) {
        memcpy(name, path, len);
        errno = 0;
        rc = vfs->xOpen(vfs, name, file, SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB, NULL);
    }
    int reason = errno;
    sqlite3_int64 total = 0;
    if (rc == SQLITE_OK)
        rc = file->pMethods->xFileSize(file, &total);
    if (rc == SQLITE_OK) {
        *got = total < size ? (int)total : size;
        rc = *got > 0 ? file->pMethods->xRead(file, header, *got, 0) : SQLITE_OK;
        reason = rc == SQLITE_OK ? 0 : errno;
    }
    if (file && file->pMethods)
        (void)file->pMethods->xClose(file);
    pw_free(file);
    pw_free(name);
    errno = reason;
    return rc;
}

/* The header tells most files that are not ours, before a lock file is left beside them. */
static pawl_code look_at_header(const char *path, pawl_error *err)
{
    uint8_t header[100];
    int got = 0, rc = read_header(path, header, (int)sizeof header, &got);
    if (rc == SQLITE_NOMEM)
        return pw_no_memory(err);
    if (rc != SQLITE_OK)
        return pw_fail_native(err, PAWL_IO, errno ? errno : rc,
                              "'%.300s' cannot be read: %s: allow this user to read and "
                              "write it",
                              path, errno ? strerror(errno) : sqlite3_errstr(rc));
    if (got == 0)
        return PAWL_OK;
    if (got < 16 || memcmp(header, "SQLite format 3", 16) != 0)
        return not_ours(path, NO_DATABASE, err);
    uint32_t application = 0; /* may still be in the log: 0 says nothing */
    for (size_t i = 68; i < 72 && got == (int)sizeof header; i++)
        application = application << 8 | header[i];
    return application == 0 || application == PW_SQLITE_APPLICATION_ID || application == PW_SQLITE_BACKUP_ID
               ? PAWL_OK
               : not_ours(path, OTHER_PROGRAM, err);
}

pawl_code pw_sqlite_look_at_file(const char *path, bool create, pawl_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        if (errno == ENOENT)
            return create ? PAWL_OK : no_store(path, err);
        return pw_fail_native(err, PAWL_IO, errno, "'%.300s': %s: check the path", path,
                              strerror(errno));
    }
    if (S_ISDIR(info.st_mode))
        return pw_fail(err, PAWL_INVALID,
                       "'%.200s' is a directory, not a Pawl store: name a file in it, as in "
                       "'%.200s/pawl.db'",
                       path, path);
    if (!S_ISREG(info.st_mode))
        return pw_fail(err, PAWL_INVALID, "'%.300s' is no regular file: name another", path);
    return look_at_header(path, err);
}

/* ---- the schema */

pawl_code pw_sqlite_identify(pw_connection *connection, pw_sqlite_kind *kind, int *version, pawl_error *err)
{
    int64_t application = 0, schema = 0, tables = 0;
    pawl_error error;
    memset(&error, 0, sizeof error);
    pawl_code code =
        pw_connection_pragma(connection, "PRAGMA application_id", &application, &error);
    if (code == PAWL_OK)
        code = pw_connection_pragma(connection, "PRAGMA user_version", &schema, &error);
    if (code == PAWL_OK)
        code =
            pw_connection_pragma(connection, "SELECT count(*) FROM sqlite_schema", &tables, &error);
    if (code != PAWL_OK && (error.native & 0xff) == SQLITE_NOTADB)
        return not_ours(connection->shown, NO_DATABASE, err);
    if (code != PAWL_OK) {
        if (err)
            *err = error;
        return code;
    }
    if (application != PW_SQLITE_APPLICATION_ID && application != PW_SQLITE_BACKUP_ID) {
        if (application != 0 || schema != 0 || tables != 0)
            return not_ours(connection->shown, OTHER_PROGRAM, err);
        *kind = PW_SQLITE_EMPTY;
        *version = 0;
        return PAWL_OK;
    }
    if (schema < 1 || schema > INT32_MAX)
        return pw_fail(err, PAWL_CORRUPT, "'%s' is damaged (schema %lld): restore it from a backup",
                       connection->shown, (long long)schema);
    if (schema > PW_SCHEMA_VERSION)
        return pw_fail(err, PAWL_SCHEMA,
                       "'%s': schema %lld is newer than this program knows (%d): use a newer pawl",
                       connection->shown, (long long)schema, PW_SCHEMA_VERSION);
    *kind = application == PW_SQLITE_BACKUP_ID ? PW_SQLITE_BACKUP : PW_SQLITE_STORE;
    *version = (int)schema;
    return PAWL_OK;
}

static pawl_code apply_migration(pw_connection *connection, int version, pawl_error *err)
{
    pawl_code code = pw_connection_exec(connection, pw_sqlite_migration[version - 1], err);
    if (code != PAWL_OK)
        return code;
    pw_query query = pw_query_begin(connection, PW_SQLITE_SQL_MIGRATION_PUT);
    pw_bind_int(&query, 1, version);
    pw_bind_int(&query, 2, pw_sqlite_now_ms());
    pw_bind_text(&query, 3, pw_str_of(PAWL_VERSION));
    (void)pw_query_row(&query);
    int rc = pw_query_end(&query);
    return rc == SQLITE_OK ? PAWL_OK : pw_sqlite_fail(connection, rc, "migrate", err);
}

/* The row that makes idempotency keys and the tokens of jobs of this store different from those of
 * any other. */
static pawl_code make_info(pw_connection *connection, pawl_error *err)
{
    char generation[PW_STORE_SECRET_SIZE], secret[PW_STORE_SECRET_SIZE];
    pawl_code code = pw_store_make_secret(generation, err);
    if (code == PAWL_OK)
        code = pw_store_make_secret(secret, err);
    if (code != PAWL_OK)
        return code;
    pw_query query = pw_query_begin(connection, PW_SQLITE_SQL_INFO_PUT);
    pw_bind_text(&query, 1, (pw_str){ generation, 32 });
    pw_bind_int(&query, 2, pw_sqlite_now_ms());
    pw_bind_text(&query, 3, pw_str_of(secret));
    (void)pw_query_row(&query);
    int rc = pw_query_end(&query);
    return rc == SQLITE_OK ? PAWL_OK : pw_sqlite_fail(connection, rc, "migrate", err);
}

pawl_code pw_sqlite_upgrade(pw_connection *connection, int version, pawl_error *err)
{
    char finish[96];
    (void)snprintf(finish, sizeof finish, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                   PW_SQLITE_APPLICATION_ID, PW_SCHEMA_VERSION);
    pawl_code code = pw_connection_exec(connection, "BEGIN IMMEDIATE", err);
    if (code != PAWL_OK)
        return code;
    for (int next = version + 1; code == PAWL_OK && next <= PW_SCHEMA_VERSION; next++)
        code = apply_migration(connection, next, err);
    if (code == PAWL_OK && version == 0)
        code = make_info(connection, err);
    if (code == PAWL_OK)
        code = pw_connection_exec(connection, finish, err);
    PW_FAULT("store-in-migration");
    if (code == PAWL_OK)
        code = pw_connection_exec(connection, "COMMIT", err);
    if (code != PAWL_OK && !sqlite3_get_autocommit(connection->db))
        (void)sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
    PW_FAULT("store-after-migration");
    return code;
}
static_assert(PW_SQLITE_MIGRATION_COUNT == PW_SCHEMA_VERSION, "each version has its file");

static pawl_code older(const pw_connection *connection, int version, pawl_error *err)
{
    return pw_fail(err, PAWL_SCHEMA,
                   "'%s': schema %d is older than this program's (%d): run `pawl migrate`",
                   connection->shown, version, PW_SCHEMA_VERSION);
}

/* The text at this column, NUL-terminated; empty: it is none that fits. */
static pw_str info_text(const pw_query *query, int at, char *out, size_t size)
{
    size_t len = (size_t)sqlite3_column_bytes(query->statement, at);
    if (len == 0 || len >= size)
        return (pw_str){ "", 0 };
    memcpy(out, sqlite3_column_blob(query->statement, at), len);
    out[len] = '\0';
    return (pw_str){ out, len };
}

static int read_past(pw_sqlite *store, pw_connection *connection)
{
    size_t count = 0;
    pw_query query = pw_query_begin(connection, PW_SQLITE_SQL_PAST_GENERATIONS);
    pw_bind_int(&query, 1, PW_PAST_GENERATIONS_MAX);
    while (count < PW_PAST_GENERATIONS_MAX && pw_query_row(&query)) {
        store->past[count] = info_text(&query, 0, store->past_text[count], sizeof store->past_text[count]);
        count++;
    }
    store->base.past = store->past;
    store->base.past_count = count;
    return pw_query_end(&query);
}

static pawl_code read_info(pw_sqlite *store, pw_connection *connection, pawl_error *err)
{
    pw_query query = pw_query_begin(connection, PW_SQLITE_SQL_INFO_GET);
    bool good = false;
    if (pw_query_row(&query)) {
        store->base.generation = info_text(&query, 0, store->generation, sizeof store->generation);
        store->base.secret = info_text(&query, 1, store->secret, sizeof store->secret);
        good = store->base.generation.len > 0 && store->base.secret.len > 0;
    }
    int rc = pw_query_end(&query);
    if (rc == SQLITE_OK)
        rc = read_past(store, connection);
    if (rc != SQLITE_OK)
        return pw_sqlite_fail(connection, rc, "open", err);
    return good ? PAWL_OK
                : pw_fail(err, PAWL_CORRUPT,
                          "'%s' is damaged (table store_info): restore it from a backup",
                          connection->shown);
}

/* ---- the log that was left behind */

static int write_again(sqlite3_file *log, uint8_t *bytes, int room)
{
    sqlite3_int64 size = 0;
    int rc = log->pMethods->xFileSize(log, &size);
    for (sqlite3_int64 at = 0; rc == SQLITE_OK && at < size; at += room) {
        int len = size - at < room ? (int)(size - at) : room;
        rc = log->pMethods->xRead(log, bytes, len, at);
        if (rc == SQLITE_OK)
            rc = log->pMethods->xWrite(log, bytes, len, at);
    }
    return rc == SQLITE_OK && size > 0 ? log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) : rc;
}

/* What a log holds may be readable only because the system has it in memory: the process was killed
 * before its sync, or the sync failed, and Linux does not write those pages again at the next one.
 * Recovery acts upon it, and a checkpoint moves it into the file, so it must be on the disk first:
 * it is written over itself, and synced. A store that was closed properly has no log. Under the
 * write lock, so that no other program begins the log anew meanwhile. */
static pawl_code settle_log(pw_connection *writer, pawl_error *err)
{
    enum { ROOM = 1 << 16 };
    sqlite3_file *log = NULL;
    uint8_t *bytes = pw_alloc(ROOM);
    if (!bytes)
        return pw_no_memory(err);
    pawl_code code = pw_connection_exec(writer, "BEGIN IMMEDIATE", err);
    if (code == PAWL_OK) {
        int rc = sqlite3_file_control(writer->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
        errno = 0;
        if (rc == SQLITE_OK && log && log->pMethods)
            rc = write_again(log, bytes, ROOM);
        if ((rc & 0xff) == SQLITE_FULL)
            code = pw_sqlite_fail(writer, rc, "open", err);
        else if (rc != SQLITE_OK)
            code = pw_fail_native(err, PAWL_IO, rc,
                                  "'%s': open: the disk failed (%s%s%s): check the disk and its "
                                  "file system, then run the command again",
                                  writer->shown, sqlite3_errstr(rc), errno ? ": " : "",
                                  errno ? strerror(errno) : "");
        (void)sqlite3_exec(writer->db, "ROLLBACK", NULL, NULL, NULL);
    }
    pw_free(bytes);
    return code;
}

/* Its instances live on in the store that it was made of: who drove them here, too, would do everything twice, under the
 * same keys. To look into it does no harm. */
static pawl_code is_backup(const pw_connection *connection, pawl_error *err)
{
    return pw_fail(err, PAWL_INVALID, "'%s' is a backup, which can be read, but is nobody's store: make a store of it by `pawl restore`",
                   connection->shown);
}

/* Opens the writer on a file that is a store, or becomes one. */
static pawl_code open_writer(pw_sqlite *store, bool create, int *from, pawl_error *err)
{
    pw_connection *writer = &store->writer;
    pw_sqlite_kind kind = PW_SQLITE_EMPTY;
    int version = 0;
    pawl_code code =
        pw_connection_open(writer, store->path, create ? PW_CONNECT_CREATE : PW_CONNECT_WRITE, err);
    if (code == PAWL_OK && sqlite3_db_readonly(writer->db, "main") == 1)
        code = pw_sqlite_fail(writer, SQLITE_READONLY, "open", err);
    if (code == PAWL_OK)
        code = pw_sqlite_identify(writer, &kind, &version, err);
    if (code == PAWL_OK && kind == PW_SQLITE_EMPTY && !create)
        code = no_store(store->path, err);
    if (code == PAWL_OK && kind == PW_SQLITE_BACKUP)
        code = is_backup(writer, err);
    if (code == PAWL_OK && kind == PW_SQLITE_STORE && version < PW_SCHEMA_VERSION && !create)
        code = older(writer, version, err);
    if (code == PAWL_OK && kind == PW_SQLITE_EMPTY) /* free pages can be given back; settled before the first table */
        code = pw_connection_exec(writer, "PRAGMA auto_vacuum = INCREMENTAL", err);
    if (code == PAWL_OK)
        code = pw_connection_exec(
            writer, "PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 67108864", err);
    if (code == PAWL_OK)
        code = settle_log(writer, err);
    if (code == PAWL_OK && version < PW_SCHEMA_VERSION)
        code = pw_sqlite_upgrade(writer, version, err);
    if (code == PAWL_OK)
        code = pw_connection_prepare_writes(writer, err);
    if (code == PAWL_OK)
        code = read_info(store, writer, err);
    if (code != PAWL_OK)
        pw_connection_close(writer);
    else if (from)
        *from = version;
    return code;
}

/* ---- readers */

bool pw_sqlite_has_no_log(const char *path)
{
    char *name = NULL;
    if (asprintf(&name, "%s-wal", path) < 0)
        return false;
    struct stat info;
    bool none = stat(name, &info) != 0 ? errno == ENOENT : info.st_size == 0;
    free(name);
    return none;
}

static pawl_code open_reader(pw_sqlite *store, pw_connection *connection, pawl_error *err)
{
    if (store->immutable && !pw_sqlite_has_no_log(store->path))
        return pw_fail(
            err, PAWL_IO,
            "'%.200s' is being written by another user, and reading it then needs a file "
            "beside it: allow this user to write its directory",
            store->path);
    return pw_connection_open(connection, store->path,
                              store->immutable ? PW_CONNECT_IMMUTABLE : PW_CONNECT_READ, err);
}

pawl_code pw_sqlite_reader_take(pw_sqlite *store, pw_sqlite_reader **out, pawl_error *err)
{
    pw_sqlite_reader *reader = NULL;
    pthread_mutex_lock(&store->read_lock);
    if (store->taken == PW_SQLITE_READERS)
        store->waits++;
    while (store->closed || store->taken == PW_SQLITE_READERS)
        pthread_cond_wait(&store->reader_free, &store->read_lock);
    for (size_t i = 0; i < PW_SQLITE_READERS; i++) { /* an open one, else any free one */
        pw_sqlite_reader *r = &store->readers[i];
        if (!r->taken && (!reader || (r->open && !reader->open)))
            reader = r;
    }
    PW_ASSERT(reader != NULL);
    reader->taken = true;
    store->taken++;
    pthread_mutex_unlock(&store->read_lock);

    if (store->immutable && reader->open && !pw_sqlite_has_no_log(store->path)) {
        pw_connection_close(&reader->connection);
        reader->open = false;
    }
    if (!reader->open) {
        pawl_code code = open_reader(store, &reader->connection, err);
        reader->open = code == PAWL_OK;
        if (code != PAWL_OK) {
            pw_sqlite_reader_give(store, reader, true);
            return code;
        }
    }
    *out = reader;
    return PAWL_OK;
}

void pw_sqlite_reader_give(pw_sqlite *store, pw_sqlite_reader *reader, bool healthy)
{
    if (!healthy && reader->open) {
        pw_connection_close(&reader->connection);
        reader->open = false;
    }
    pthread_mutex_lock(&store->read_lock);
    reader->taken = false;
    store->taken--;
    pthread_cond_broadcast(&store->reader_free);
    pthread_mutex_unlock(&store->read_lock);
}

static void pool(pw_store *base, pw_store_pool *out)
{
    pw_sqlite *store = pw_sqlite_of(base);
    pthread_mutex_lock(&store->read_lock);
    *out = (pw_store_pool){ .size = PW_SQLITE_READERS, .used = store->taken, .waits = store->waits };
    pthread_mutex_unlock(&store->read_lock);
}

void pw_sqlite_readers_close(pw_sqlite *store)
{
    pthread_mutex_lock(&store->read_lock);
    store->closed = true;
    while (store->taken > 0)
        pthread_cond_wait(&store->reader_free, &store->read_lock);
    for (size_t i = 0; i < PW_SQLITE_READERS; i++) {
        if (store->readers[i].open)
            pw_connection_close(&store->readers[i].connection);
        store->readers[i].open = false;
    }
    pthread_mutex_unlock(&store->read_lock);
}

void pw_sqlite_readers_open(pw_sqlite *store)
{
    pthread_mutex_lock(&store->read_lock);
    store->closed = false;
    pthread_cond_broadcast(&store->reader_free);
    pthread_mutex_unlock(&store->read_lock);
}

/* ---- the store */

static void count(const pw_store *base, pw_store_counts *out)
{
    const pw_sqlite *store = (const pw_sqlite *)base;
    *out = (pw_store_counts){
        .commits = atomic_load_explicit(&store->commits, memory_order_relaxed),
        .items = atomic_load_explicit(&store->items, memory_order_relaxed),
        .statements = atomic_load_explicit(&store->statements, memory_order_relaxed),
        .rows = atomic_load_explicit(&store->rows, memory_order_relaxed),
        .syncs = atomic_load_explicit(&store->syncs, memory_order_relaxed),
        .conflicts = atomic_load_explicit(&store->conflicts, memory_order_relaxed),
        .bisections = atomic_load_explicit(&store->bisections, memory_order_relaxed),
    };
}

static const pw_store_ops sqlite_ops = {
    .close = pw_sqlite_close,
    .reopen = pw_sqlite_reopen,
    .definition_put = pw_sqlite_definition_put,
    .definition_get = pw_sqlite_definition_get,
    .definition_versions = pw_sqlite_definition_versions,
    .exclusive = pw_sqlite_exclusive,
    .node_beat = pw_sqlite_node_beat,
    .partitions_take = pw_sqlite_partitions_take,
    .partitions_give = pw_sqlite_partitions_give,
    .partition_node = pw_sqlite_partition_node,
    .definition_status = pw_sqlite_definition_status,
    .definition_list = pw_sqlite_definition_list,
    .commit = pw_sqlite_commit,
    .instance_get = pw_sqlite_instance_get,
    .instance_list = pw_sqlite_instance_list,
    .instance_count = pw_sqlite_instance_count,
    .instance_delete = pw_sqlite_instance_delete,
    .due = pw_sqlite_due,
    .next_due = pw_sqlite_next_due,
    .steps = pw_sqlite_steps,
    .payload_get = pw_sqlite_payload_get,
    .bookmarks = pw_sqlite_bookmarks,
    .bookmark_by_key = pw_sqlite_bookmark_by_key,
    .open_bookmarks = pw_sqlite_open_bookmarks,
    .calls = pw_sqlite_calls,
    .call_get = pw_sqlite_call_get,
    .outbox = pw_sqlite_outbox,
    .publish_due = pw_sqlite_publish_due,
    .publish_next = pw_sqlite_publish_next,
    .publish_end = pw_sqlite_publish_end,
    .publish_count = pw_sqlite_publish_count,
    .letters = pw_sqlite_letters,
    .letter_count = pw_sqlite_letter_count,
    .letters_of = pw_sqlite_letters_of,
    .letters_change = pw_sqlite_letters_change,
    .faults = pw_sqlite_faults,
    .incidents = pw_sqlite_incidents,
    .incident_get = pw_sqlite_incident_get,
    .incident_count = pw_sqlite_incident_count,
    .undo = pw_sqlite_undo,
    .undo_count = pw_sqlite_undo_count,
    .breakers = pw_sqlite_breakers,
    .breaker_get = pw_sqlite_breaker_get,
    .breaker_set = pw_sqlite_breaker_set,
    .audit = pw_sqlite_audit,
    .bulk_set = pw_sqlite_bulk_set,
    .bulk_get = pw_sqlite_bulk_get,
    .bulks = pw_sqlite_bulks,
    .inbox_put = pw_sqlite_inbox_put,
    .inbox_get = pw_sqlite_inbox_get,
    .inbox_pending = pw_sqlite_inbox_pending,
    .inbox_return = pw_sqlite_inbox_return,
    .answers_expire = pw_sqlite_answers_expire,
    .principal_put = pw_sqlite_principal_put,
    .principal_revoke = pw_sqlite_principal_revoke,
    .principal_get = pw_sqlite_principal_get,
    .principals = pw_sqlite_principals,
    .request_put = pw_sqlite_request_put,
    .requests_expire = pw_sqlite_requests_expire,
    .messages_put = pw_sqlite_messages_put,
    .messages_new = pw_sqlite_messages_new,
    .messages_kept = pw_sqlite_messages_kept,
    .message_get = pw_sqlite_message_get,
    .matchers = pw_sqlite_matchers,
    .matcher_count = pw_sqlite_matcher_count,
    .messages_route = pw_sqlite_messages_route,
    .message_keys_put = pw_sqlite_message_keys_put,
    .messages_claim = pw_sqlite_messages_claim,
    .subscriptions_fed = pw_sqlite_subscriptions_fed,
    .subscriptions = pw_sqlite_subscriptions,
    .deliveries = pw_sqlite_deliveries,
    .deliveries_pending = pw_sqlite_deliveries_pending,
    .deliveries_give_back = pw_sqlite_deliveries_give_back,
    .messages_expire = pw_sqlite_messages_expire,
    .count = count,
    .pool = pool,
    .clean = pw_sqlite_clean,
    .vacuum = pw_sqlite_vacuum,
    .space = pw_sqlite_space,
    .is_owned = pw_sqlite_is_owned,
};

static void store_free(pw_sqlite *store)
{
    pw_sqlite_unlock(store->lock_fd);
    pthread_mutex_destroy(&store->write_lock);
    pthread_mutex_destroy(&store->read_lock);
    pthread_cond_destroy(&store->reader_free);
    pthread_mutex_destroy(&store->checkpointer.lock);
    pthread_cond_destroy(&store->checkpointer.wake);
    pw_free(store->path);
    pw_free(store);
}

/* A store that has its path, and as an owner the lock; nothing is open yet. */
static pawl_code store_new(pw_sqlite **out, pw_str given, pw_store_mode mode, bool create,
                           pawl_error *err)
{
    if (!sqlite3_threadsafe())
        return pw_fail(err, PAWL_IO, "this SQLite was built without threads: install another");
    char *path = pw_strdup(given), *real = NULL;
    if (!path)
        return pw_no_memory(err);
    pawl_code code = pw_sqlite_resolve(&real, path, create, err);
    pw_free(path);
    if (code == PAWL_OK)
        code = pw_sqlite_look_at_file(real, create, err);
    if (code != PAWL_OK) {
        pw_free(real);
        return code;
    }
    pw_sqlite *store = pw_zalloc(sizeof *store);
    if (!store) {
        pw_free(real);
        return pw_no_memory(err);
    }
    store->base.ops = &sqlite_ops;
    store->path = real;
    store->base.path = pw_str_of(real);
    store->mode = mode;
    store->lock_fd = -1;
    pthread_mutex_init(&store->write_lock, NULL);
    pthread_mutex_init(&store->read_lock, NULL);
    pthread_cond_init(&store->reader_free, NULL);
    pthread_mutex_init(&store->checkpointer.lock, NULL);
    pthread_cond_init(&store->checkpointer.wake, NULL);
    if (mode == PW_STORE_OWN && (code = pw_sqlite_lock(&store->lock_fd, real, err)) != PAWL_OK) {
        store_free(store);
        return code;
    }
    *out = store;
    return PAWL_OK;
}

static pawl_code open_own(pw_sqlite *store, bool create, pawl_error *err)
{
    pawl_code code = open_writer(store, create, NULL, err);
    if (code != PAWL_OK)
        return code;
    code = pw_checkpointer_start(store, err);
    if (code != PAWL_OK)
        pw_connection_close(&store->writer);
    return code;
}

static bool directory_refuses(const char *path)
{
    char *copy = strdup(path);
    bool refuses = copy && access(dirname(copy), W_OK) != 0;
    free(copy);
    return refuses;
}

static pawl_code look_into(pw_sqlite *store, pw_connection *connection, pawl_error *err)
{
    pw_sqlite_kind kind = PW_SQLITE_EMPTY;
    int version = 0;
    pawl_code code = pw_sqlite_identify(connection, &kind, &version, err);
    if (code == PAWL_OK && kind == PW_SQLITE_EMPTY)
        code = no_store(store->path, err);
    if (code == PAWL_OK && version < PW_SCHEMA_VERSION)
        code = older(connection, version, err);
    if (code == PAWL_OK)
        code = read_info(store, connection, err);
    return code;
}

static pawl_code open_read(pw_sqlite *store, pawl_error *err)
{
    pw_sqlite_reader *reader = NULL;
    pawl_code code = pw_sqlite_reader_take(store, &reader, err);
    if (code != PAWL_OK)
        return code;
    code = look_into(store, &reader->connection, err);
    bool refused = code == PAWL_IO && directory_refuses(store->path);
    pw_sqlite_reader_give(store, reader, code == PAWL_OK);
    if (!refused)
        return code;
    if (!pw_sqlite_has_no_log(store->path))
        return pw_fail(
            err, PAWL_IO,
            "'%.200s' was not closed properly, and reading it needs a file beside it: open it "
            "once as its owner, or allow this user to write its directory",
            store->path);
    store->immutable = true;
    code = pw_sqlite_reader_take(store, &reader, err);
    if (code != PAWL_OK)
        return code;
    code = look_into(store, &reader->connection, err);
    pw_sqlite_reader_give(store, reader, code == PAWL_OK);
    return code;
}

pawl_code pw_sqlite_open(pw_store **out, pw_str path, pw_store_mode mode, bool create,
                         pawl_error *err)
{
    pw_sqlite *store = NULL;
    create = create && mode == PW_STORE_OWN;
    pawl_code code = store_new(&store, path, mode, create, err);
    if (code != PAWL_OK)
        return code;
    code = mode == PW_STORE_OWN ? open_own(store, create, err) : open_read(store, err);
    if (code != PAWL_OK) {
        store_free(store);
        return code;
    }
    *out = &store->base;
    return PAWL_OK;
}

pawl_code pw_sqlite_migrate(pw_str path, int *from, int *to, pawl_error *err)
{
    pw_sqlite *store = NULL;
    pawl_code code = store_new(&store, path, PW_STORE_OWN, false, err);
    if (code != PAWL_OK)
        return code;
    code = open_writer(store, true, from, err);
    if (code == PAWL_OK) {
        *to = PW_SCHEMA_VERSION;
        pw_connection_close(&store->writer);
    }
    store_free(store);
    return code;
}

static void close_all(pw_sqlite *store)
{
    pw_checkpointer_stop(store);
    pw_sqlite_readers_close(store);
    if (!store->writer.db)
        return;
    if (store->broken) {
        /* What the log holds is the truth that recovery will read; nothing may be added to it or
         * taken. */
        (void)sqlite3_db_config(store->writer.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    } else {
        /* SQLite does the same at the last close, but not while another process is reading. */
        (void)sqlite3_busy_timeout(store->writer.db, 100);
        (void)sqlite3_wal_checkpoint_v2(store->writer.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                        NULL);
    }
    pw_connection_close(&store->writer);
}

void pw_sqlite_close(pw_store *base)
{
    pw_sqlite *store = pw_sqlite_of(base);
    close_all(store);
    store_free(store);
}

pawl_code pw_sqlite_reopen(pw_store *base, pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    if (store->mode != PW_STORE_OWN) {
        pw_sqlite_readers_close(store);
        pw_sqlite_readers_open(store);
        return PAWL_OK;
    }
    pw_checkpointer_stop(store); /* it takes write_lock itself */
    pthread_mutex_lock(&store->write_lock);
    close_all(store);
    store->broken = true; /* until it is open */
    pawl_code code = open_own(store, false, err);
    store->broken = code != PAWL_OK;
    pthread_mutex_unlock(&store->write_lock);
    pw_sqlite_readers_open(store); /* they try for themselves */
    return code;
}
