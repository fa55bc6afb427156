/* connection.c - one SQLite connection: its settings, its statements, and what its errors mean.
 *
 * Values are always bound. A text is bound without a copy, so it must stay until pw_query_end.
 * What comes back is copied into an arena whose guard is off: memory that runs out is seen
 * once, at the end of a read. */
#include <errno.h>
#include <stdio.h>

#include "store/sqlite/sqlite_internal.h"
#include "base/json.h"

/* ---- errors */

pawl_code pw_sqlite_code(int rc)
{
    if (rc == SQLITE_IOERR_NOMEM)
        return PAWL_NO_MEMORY;
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return PAWL_OK;
    case SQLITE_NOMEM:
        return PAWL_NO_MEMORY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return PAWL_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* a statement does not fit the schema */
    case SQLITE_FORMAT:
        return PAWL_CORRUPT;
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
        return PAWL_INVALID;
    default: /* FULL, IOERR, READONLY, CANTOPEN, PERM, AUTH, NOLFS, PROTOCOL ... */
        return PAWL_IO;
    }
}

bool pw_sqlite_is_row_failure(int rc)
{
    return pw_sqlite_code(rc) == PAWL_INVALID;
}

static pawl_code full(pawl_error *err, pawl_code code)
{
    if (err)
        err->reason = PAWL_REASON_DISK_LOW;
    return code;
}

pawl_code pw_sqlite_fail(const pw_connection *connection, int rc, const char *doing,
                         pawl_error *err)
{
    const char *path = connection->shown;
    const char *words = connection->db ? sqlite3_errmsg(connection->db) : sqlite3_errstr(rc);
    int reason = connection->db ? sqlite3_system_errno(connection->db) : 0;
    if (reason == 0)
        reason = connection->reason;
    pawl_code code = pw_sqlite_code(rc);
    bool io = (rc & 0xff) == SQLITE_IOERR;
    if (code == PAWL_NO_MEMORY)
        return pw_fail_native(err, code, rc, "'%s': %s: out of memory", path, doing);
    if (rc == SQLITE_IOERR_FSYNC && (reason == ENOSPC || reason == EDQUOT))
        return full(err, pw_fail_native(err, code, rc,
                                        "'%s': %s: the disk is full: free space and run the command again; "
                                        "whether this was committed is known then",
                                        path, doing));
    if ((rc & 0xff) == SQLITE_FULL ||
        (io && (reason == ENOSPC || reason == EDQUOT || reason == EFBIG)))
        return full(err, pw_fail_native(err, code, rc,
                                        "'%s': %s: the disk is full: free space and run the command again; "
                                        "nothing was committed",
                                        path, doing));
    if (io)
        return pw_fail_native(err, code, rc,
                              "'%s': %s: the disk failed (%s%s%s): check the disk and its file "
                              "system, then run the command again",
                              path, doing, words, reason ? ": " : "",
                              reason ? strerror(reason) : "");
    if ((rc & 0xff) == SQLITE_READONLY || (rc & 0xff) == SQLITE_PERM)
        return pw_fail_native(
            err, code, rc,
            "'%s': %s: cannot be written: allow this user to write the file and its "
            "directory",
            path, doing);
    if ((rc & 0xff) == SQLITE_CANTOPEN)
        return pw_fail_native(
            err, code, rc,
            "'%s': %s: cannot be opened%s%s: check that the file and its directory "
            "may be read and written by this user",
            path, doing, reason ? ": " : "", reason ? strerror(reason) : "");
    if (code == PAWL_BUSY)
        return pw_fail_native(
            err, code, rc,
            "'%s': %s: another program is writing to the file: stop it, or try again "
            "later",
            path, doing);
    if ((rc & 0xff) == SQLITE_ERROR)
        return pw_fail_native(
            err, code, rc,
            "'%s': %s: its tables are not those of schema %d (%s): restore it from a "
            "backup",
            path, doing, PW_SCHEMA_VERSION, words);
    if (code == PAWL_CORRUPT)
        return pw_fail_native(err, code, rc,
                              "'%s': %s: the file is damaged (%s): restore it from a backup", path,
                              doing, words);
    if (code == PAWL_INVALID)
        return pw_fail_native(err, code, rc, "'%s': %s: refused by the store: %s", path, doing,
                              words);
    return pw_fail_native(err, code, rc, "'%s': %s: %s", path, doing, words);
}

/* ---- opening and closing */

/* A path as a URI of SQLite's, to ask for what only a URI can: nothing but this is ever opened so.
 */
static bool immutable_uri(char *out, size_t size, const char *path)
{
    size_t len = (size_t)snprintf(out, size, "file:");
    for (; *path && len + 4 < size; path++) {
        if (strchr("%?#", *path))
            len += (size_t)snprintf(out + len, size - len, "%%%02X", (unsigned char)*path);
        else
            out[len++] = *path;
    }
    int rest = snprintf(out + len, size - len, "?immutable=1");
    return *path == '\0' && rest > 0 && (size_t)rest < size - len;
}

pawl_code pw_connection_open(pw_connection *connection, const char *path, pw_connection_mode mode,
                             pawl_error *err)
{
    memset(connection, 0, sizeof *connection);
    size_t len = strlen(path);
    (void)snprintf(connection->shown, sizeof connection->shown, "%s%s", len > 200 ? "..." : "",
                   len > 200 ? path + len - 200 : path);
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    char uri[3 * 4096 + 32];
    if (mode == PW_CONNECT_IMMUTABLE) {
        if (!immutable_uri(uri, sizeof uri, path))
            return pw_fail(err, PAWL_IO, "'%s': the path is too long", connection->shown);
        path = uri;
        flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
    } else if (mode == PW_CONNECT_READ) {
        flags |= SQLITE_OPEN_READONLY;
    } else {
        flags |= SQLITE_OPEN_READWRITE | (mode == PW_CONNECT_CREATE ? SQLITE_OPEN_CREATE : 0);
    }
    int rc = sqlite3_open_v2(path, &connection->db, flags, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(connection->db, PW_SQLITE_BUSY_MS);
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(connection->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(connection->db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    pawl_code code = rc == SQLITE_OK ? PAWL_OK : pw_sqlite_fail(connection, rc, "open", err);
    if (code == PAWL_OK && (mode == PW_CONNECT_CREATE || mode == PW_CONNECT_WRITE)) {
        /* FULL: a commit is on the disk when it answers. The checkpointer does what autocheckpoint
         * would do inside a commit. 16 MiB: in a large store each instance in flight has some three
         * pages of its own, and those of 512 do not fit into SQLite's usual 2 MiB: a step then took
         * 1.7 times the CPU (doc/performance.md). */
        code = pw_connection_exec(connection,
                                  "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; "
                                  "PRAGMA cache_size = -16384",
                                  err);
    }
    if (code != PAWL_OK)
        pw_connection_close(connection);
    return code;
}

void pw_connection_close(pw_connection *connection)
{
    for (size_t i = 0; i < PW_SQLITE_SQL_COUNT; i++) {
        (void)sqlite3_finalize(connection->statements[i]);
        connection->statements[i] = NULL;
    }
    int rc = sqlite3_close(connection->db);
    PW_ASSERT(rc == SQLITE_OK); /* nothing of ours is open on it */
    connection->db = NULL;
}

static int prepare(pw_connection *connection, pw_sqlite_sql sql)
{
    if (connection->statements[sql])
        return SQLITE_OK;
    return sqlite3_prepare_v3(connection->db, pw_sqlite_sql_text[sql], -1,
                              SQLITE_PREPARE_PERSISTENT, &connection->statements[sql], NULL);
}

pawl_code pw_connection_prepare_writes(pw_connection *connection, pawl_error *err)
{
    for (size_t i = 0; i < PW_SQLITE_SQL_COUNT; i++) {
        bool writes = strncmp(pw_sqlite_sql_text[i], "SELECT", 6) != 0;
        int rc = writes ? prepare(connection, (pw_sqlite_sql)i) : SQLITE_OK;
        if (rc != SQLITE_OK)
            return pw_sqlite_fail(connection, rc, pw_sqlite_sql_name[i], err);
    }
    return PAWL_OK;
}

pawl_code pw_connection_exec(pw_connection *connection, const char *sql, pawl_error *err)
{
    int rc = sqlite3_exec(connection->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? PAWL_OK : pw_sqlite_fail(connection, rc, "open", err);
}

pawl_code pw_connection_pragma(pw_connection *connection, const char *sql, int64_t *out,
                               pawl_error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(connection->db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        *out = sqlite3_column_int64(statement, 0);
        rc = SQLITE_OK;
    } else if (rc == SQLITE_DONE) {
        *out = 0;
        rc = SQLITE_OK;
    }
    pawl_code code = rc == SQLITE_OK ? PAWL_OK : pw_sqlite_fail(connection, rc, "open", err);
    (void)sqlite3_finalize(statement);
    return code;
}

/* ---- statements */

pw_query pw_query_begin(pw_connection *connection, pw_sqlite_sql sql)
{
    int rc = prepare(connection, sql);
    return (pw_query){ connection, connection->statements[sql], rc };
}

void pw_bind_text(pw_query *query, int at, pw_str text)
{
    if (query->rc == SQLITE_OK)
        query->rc = sqlite3_bind_text64(query->statement, at, text.len ? text.ptr : "", text.len,
                                        SQLITE_STATIC, SQLITE_UTF8);
}

void pw_bind_optional(pw_query *query, int at, pw_str text)
{
    if (text.len > 0)
        pw_bind_text(query, at, text);
    else
        pw_bind_null(query, at);
}

void pw_write_array(pw_buf *buf, const pw_str *texts, size_t count)
{
    pw_buf_init(buf, 0);
    for (size_t i = 0; i < count; i++) {
        pw_buf_char(buf, i == 0 ? '[' : ',');
        pw_json_write_string(buf, texts[i]);
    }
    if (count > 0)
        pw_buf_char(buf, ']');
}

void pw_write_labels(pw_buf *buf, const pw_label *labels, size_t count)
{
    pw_buf_init(buf, 0);
    for (size_t i = 0; i < count; i++) {
        pw_buf_char(buf, i == 0 ? '{' : ',');
        pw_json_write_string(buf, labels[i].name);
        pw_buf_char(buf, ':');
        pw_json_write_string(buf, labels[i].value);
    }
    if (count > 0)
        pw_buf_char(buf, '}');
}

void pw_bind_buf(pw_query *query, int at, const pw_buf *buf)
{
    if (buf->failed && query->rc == SQLITE_OK)
        query->rc = SQLITE_NOMEM;
    pw_bind_optional(query, at, pw_buf_view(buf));
}

void pw_bind_int(pw_query *query, int at, int64_t n)
{
    if (query->rc == SQLITE_OK)
        query->rc = sqlite3_bind_int64(query->statement, at, n);
}

void pw_bind_time(pw_query *query, int at, int64_t ms)
{
    if (ms >= 0)
        pw_bind_int(query, at, ms);
    else
        pw_bind_null(query, at);
}

void pw_bind_null(pw_query *query, int at)
{
    if (query->rc == SQLITE_OK)
        query->rc = sqlite3_bind_null(query->statement, at);
}

bool pw_query_row(pw_query *query)
{
    if (query->rc == SQLITE_OK || query->rc == SQLITE_ROW) {
        errno = 0;
        query->rc = sqlite3_step(query->statement);
    }
    if ((query->rc & 0xff) == SQLITE_IOERR)
        query->connection->reason = errno; /* SQLite keeps it, but not of a COMMIT */
    return query->rc == SQLITE_ROW;
}

int pw_query_end(pw_query *query)
{
    if (query->statement)
        (void)sqlite3_reset(query->statement); /* repeats the code of the step */
    return query->rc == SQLITE_DONE || query->rc == SQLITE_ROW ? SQLITE_OK : query->rc;
}

pw_str pw_column_text(pw_query *query, int at, pw_arena *arena)
{
    /* As bytes: that never converts and never allocates. */
    const void *bytes = sqlite3_column_blob(query->statement, at);
    int len = sqlite3_column_bytes(query->statement, at);
    if (!bytes || len <= 0)
        return (pw_str){ "", 0 };
    return pw_arena_str(arena, (pw_str){ bytes, (size_t)len });
}

int64_t pw_column_int(pw_query *query, int at, int64_t if_null)
{
    if (sqlite3_column_type(query->statement, at) == SQLITE_NULL)
        return if_null;
    return sqlite3_column_int64(query->statement, at);
}
