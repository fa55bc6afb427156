/* check.c - whether a file is whole: what SQLite can tell of its pages, indexes and foreign keys, and what no constraint
 * says: each log leads to its instance's token, each instance is in the partition of its id, each payload is what it is named by.
 *
 * It reads within one transaction of its connection, and writes nothing. The first thing that does not hold is told; where one is damaged,
 * the rest says little. */
#include <stdlib.h>

#include "store/sqlite/sqlite_internal.h"
#include "base/digest.h"

static pawl_code damaged(const pw_connection *connection, pawl_error *err, const char *what, pw_str name)
{
    return pw_fail(err, PAWL_CORRUPT, "'%s' is damaged: %s" PW_FMT ": restore it from a backup", connection->shown, what,
                   PW_ARG(pw_store_cut(name, 150)));
}

/* SQLite's own check tells of a page that cannot be read as of one that is damaged. SQLITE_OK: it could. */
static int reading_failed(pw_str said)
{
    static const char words[] = "unable to get the page. error code=";
    const char *found = memmem(said.ptr, said.len, words, sizeof words - 1);
    long rc = found ? strtol(found + sizeof words - 1, NULL, 10) : 0;
    bool io = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_NOMEM;
    return io && rc < INT32_MAX ? (int)rc : SQLITE_OK;
}

/* The first row of a pragma that says what is wrong; `fine`: the text that says that nothing is. */
static pawl_code run_pragma(pw_connection *connection, const char *sql, const char *fine, const char *what, pawl_error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(connection->db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    pawl_code code = PAWL_OK;
    if (rc == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        pw_str said = pw_str_of(text ? text : "");
        if (fine && reading_failed(said) != SQLITE_OK)
            code = pw_sqlite_fail(connection, reading_failed(said), "check", err);
        else if (!fine || !pw_str_is(said, fine))
            code = damaged(connection, err, what, said);
    } else if (rc != SQLITE_DONE) {
        code = pw_sqlite_fail(connection, rc, "check", err);
    }
    (void)sqlite3_finalize(statement);
    return code;
}

static pawl_code end(pw_query *query, pawl_code code, pawl_error *err)
{
    int rc = pw_query_end(query);
    return code == PAWL_OK && rc != SQLITE_OK ? pw_sqlite_fail(query->connection, rc, "check", err) : code;
}

/* As it is in the row: valid until the next. */
static pw_str borrowed(const pw_query *query, int at)
{
    const void *bytes = sqlite3_column_blob(query->statement, at);
    int len = sqlite3_column_bytes(query->statement, at);
    return bytes && len > 0 ? (pw_str){ bytes, (size_t)len } : (pw_str){ "", 0 };
}

static pawl_code check_logs(pw_connection *connection, pawl_error *err)
{
    pawl_code code = PAWL_OK;
    pw_query q = pw_query_begin(connection, PW_SQLITE_SQL_CHECK_LOG);
    if (pw_query_row(&q))
        code = pw_fail(err, PAWL_CORRUPT,
                       "'%s' is damaged: instance '" PW_FMT "' is at step %lld, and its log has %lld steps, %lld to %lld: "
                       "restore it from a backup",
                       connection->shown, PW_ARG(pw_store_cut(borrowed(&q, 0), 128)), (long long)pw_column_int(&q, 1, 0),
                       (long long)pw_column_int(&q, 2, 0), (long long)pw_column_int(&q, 3, 0), (long long)pw_column_int(&q, 4, 0));
    return end(&q, code, err);
}

static pawl_code check_partitions(pw_connection *connection, pawl_error *err)
{
    pawl_code code = PAWL_OK;
    pw_query q = pw_query_begin(connection, PW_SQLITE_SQL_CHECK_PARTITION);
    while (code == PAWL_OK && pw_query_row(&q))
        if (pw_column_int(&q, 1, -1) != (int64_t)pw_store_partition(borrowed(&q, 0)))
            code = damaged(connection, err, "the partition is wrong of instance ", borrowed(&q, 0));
    return end(&q, code, err);
}

static pawl_code check_payloads(pw_connection *connection, pawl_error *err)
{
    pawl_code code = PAWL_OK;
    pw_query q = pw_query_begin(connection, PW_SQLITE_SQL_CHECK_PAYLOAD);
    while (code == PAWL_OK && pw_query_row(&q)) {
        char hex[PW_DIGEST_HEX_SIZE];
        pw_digest digest = pw_digest_of_text(borrowed(&q, 2));
        pw_digest_hex(hex, &digest);
        if (!pw_str_is(borrowed(&q, 1), hex))
            code = damaged(connection, err, "a payload has another digest than its name, of instance ", borrowed(&q, 0));
    }
    return end(&q, code, err);
}

pawl_code pw_sqlite_check_file(pw_connection *connection, bool whole, pawl_error *err)
{
    pawl_code code = whole ? run_pragma(connection, "PRAGMA integrity_check(1)", "ok", "", err)
                           : run_pragma(connection, "PRAGMA quick_check(1)", "ok", "", err);
    if (code == PAWL_OK)
        code = run_pragma(connection, "PRAGMA foreign_key_check", NULL, "a row belongs to nothing, in the table ", err);
    if (code == PAWL_OK)
        code = check_logs(connection, err);
    if (code == PAWL_OK)
        code = check_partitions(connection, err);
    if (code == PAWL_OK && whole)
        code = check_payloads(connection, err);
    return code;
}
