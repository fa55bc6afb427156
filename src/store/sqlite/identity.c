/* identity.c - tokens and whom they stand for; commands under a key, remembered until they are
 * forgotten: those of no instance in a table of their own, the answers of instances' in the inbox.
 */
#include "store/sqlite/reading.h"

/* ---- tokens */

static pawl_code put_principal(pw_sqlite *store, const pw_principal *p, pawl_error *err)
{
    int changes = 0;
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_PRINCIPAL_PUT);
    pw_bind_text(&q, 1, p->id);
    pw_bind_text(&q, 2, p->name);
    pw_bind_text(&q, 3, p->digest);
    pw_bind_text(&q, 4, p->roles);
    pw_bind_optional(&q, 5, p->groups);
    pw_bind_optional(&q, 6, p->note);
    pw_bind_optional(&q, 7, p->created_by);
    pw_bind_int(&q, 8, p->created_ms);
    pw_bind_time(&q, 9, p->expires_ms);
    pw_bind_time(&q, 10, p->revoked_ms);
    pw_bind_optional(&q, 11, p->revoked_by);
    int rc = pw_sqlite_write(store, &q, &changes);
    if (rc != SQLITE_OK)
        return pw_sqlite_write_failed(store, rc, "store a token", err);
    return changes > 0 ? PAWL_OK : pw_store_principal_conflict(err, p->id);
}

pawl_code pw_sqlite_principal_put(pw_store *base, const pw_principal *principal, pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    return pw_sqlite_end(store, put_principal(store, principal, err), err);
}

static pawl_code revoke(pw_sqlite *store, pw_str id, pw_str by, int64_t now_ms, pawl_error *err)
{
    int changes = 0;
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_PRINCIPAL_REVOKE);
    pw_bind_text(&q, 1, id);
    pw_bind_optional(&q, 2, by);
    pw_bind_int(&q, 3, now_ms);
    int rc = pw_sqlite_write(store, &q, &changes);
    if (rc != SQLITE_OK)
        return pw_sqlite_write_failed(store, rc, "revoke a token", err);
    return changes > 0 ? PAWL_OK : pw_store_not_found(err, "token", id);
}

pawl_code pw_sqlite_principal_revoke(pw_store *base, pw_str id, pw_str by, int64_t now_ms,
                                     pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    return pw_sqlite_end(store, revoke(store, id, by, now_ms, err), err);
}

static void read_principal(reading *r, pw_principal *row)
{
    row->id = text(r, 0);
    row->name = text(r, 1);
    row->digest = text(r, 2);
    row->roles = text(r, 3);
    row->groups = text(r, 4);
    row->note = text(r, 5);
    row->created_by = text(r, 6);
    row->created_ms = integer(r, 7);
    row->expires_ms = pw_column_int(&r->query, 8, -1);
    row->revoked_ms = pw_column_int(&r->query, 9, -1);
    row->revoked_by = text(r, 10);
}

pawl_code pw_sqlite_principal_get(pw_store *base, pw_str digest, pw_principal *out, pw_arena *arena,
                                  pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_PRINCIPAL_GET, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, digest);
    pw_principal row;
    bool found = next(&r);
    if (found)
        read_principal(&r, &row);
    code = read_end(&r);
    if (code == PAWL_OK && !found)
        return pw_store_no_token(err);
    if (code == PAWL_OK)
        *out = row;
    return code;
}

pawl_code pw_sqlite_principals(pw_store *base, pw_principal **out, size_t *count, pw_arena *arena,
                               pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_PRINCIPALS, arena, err);
    if (code != PAWL_OK)
        return code;
    rows list = { .size = sizeof(pw_principal) };
    while (next(&r)) {
        pw_principal *row = add(&r, &list);
        if (row)
            read_principal(&r, row);
    }
    code = read_end(&r);
    *out = list.items;
    *count = list.count;
    return code;
}

/* ---- commands under a key */

static pw_query of_request(pw_sqlite *store, pw_sqlite_sql sql, pw_str actor, pw_str key,
                           pw_str digest)
{
    pw_query q = pw_query_begin(&store->writer, sql);
    pw_bind_text(&q, 1, actor);
    pw_bind_text(&q, 2, key);
    pw_bind_text(&q, 3, digest);
    return q;
}

static pawl_code put_request(pw_sqlite *store, pw_str actor, pw_str key, pw_str digest,
                             int64_t now_ms, bool *seen, pawl_error *err)
{
    int changes = 0;
    pw_query q = of_request(store, PW_SQLITE_SQL_REQUEST_PUT, actor, key, digest);
    pw_bind_int(&q, 4, now_ms);
    int rc = pw_sqlite_write(store, &q, &changes);
    int64_t same = 1;
    *seen = changes == 0;
    if (rc == SQLITE_OK && *seen) {
        bool found = false;
        q = of_request(store, PW_SQLITE_SQL_REQUEST_SAME, actor, key, digest);
        rc = pw_sqlite_look(store, &q, &same, &found);
    }
    if (rc != SQLITE_OK)
        return pw_sqlite_write_failed(store, rc, "store a request", err);
    return same ? PAWL_OK : pw_store_request_conflict(err, key);
}

pawl_code pw_sqlite_request_put(pw_store *base, pw_str actor, pw_str key, pw_str digest,
                                int64_t now_ms, bool *seen, pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    bool before = false;
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    code = put_request(store, actor, key, digest, now_ms, &before, err);
    code = pw_sqlite_end(store, code, err);
    if (code == PAWL_OK)
        *seen = before;
    return code;
}

/* ---- what is forgotten: by a reader first, so who asks every few seconds does not take the writer
 * for nothing */

static pawl_code has_any(pw_store *base, pw_sqlite_sql sql, int64_t before_ms, bool *out,
                         pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, sql, NULL, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_int(&r.query, 1, before_ms);
    *out = next(&r) && integer(&r, 0) != 0;
    return read_end(&r);
}

static pawl_code forget(pw_store *base, pw_sqlite_sql look, pw_sqlite_sql drop, int64_t before_ms,
                        uint32_t most, uint32_t *deleted, pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    bool any = false;
    int changes = 0;
    *deleted = 0;
    pawl_code code = has_any(base, look, before_ms, &any, err);
    if (code == PAWL_OK && any)
        code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK || !any)
        return code;
    pw_query q = pw_query_begin(&store->writer, drop);
    pw_bind_int(&q, 1, before_ms);
    pw_bind_int(&q, 2, most);
    int rc = pw_sqlite_write(store, &q, &changes);
    if (rc != SQLITE_OK)
        code = pw_sqlite_write_failed(store, rc, "forget requests", err);
    code = pw_sqlite_end(store, code, err);
    if (code == PAWL_OK)
        *deleted = (uint32_t)changes;
    return code;
}

pawl_code pw_sqlite_requests_expire(pw_store *base, int64_t before_ms, uint32_t most,
                                    uint32_t *deleted, pawl_error *err)
{
    return forget(base, PW_SQLITE_SQL_REQUEST_EXPIRED, PW_SQLITE_SQL_REQUESTS_EXPIRE, before_ms,
                  most, deleted, err);
}

pawl_code pw_sqlite_answers_expire(pw_store *base, int64_t before_ms, uint32_t most,
                                   uint32_t *deleted, pawl_error *err)
{
    return forget(base, PW_SQLITE_SQL_ANSWER_EXPIRED, PW_SQLITE_SQL_ANSWERS_EXPIRE, before_ms, most,
                  deleted, err);
}
