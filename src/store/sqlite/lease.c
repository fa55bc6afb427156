/* lease.c - nodes and partitions of a store in one file: the owner of its lock is the only node,
 * for as long as it lives, and takes all partitions once. So commits are fenced by what is
 * remembered here; the tables are for people, and for the epochs, which go on rising from owner to
 * owner. */
#include "store/sqlite/sqlite_internal.h"

bool pw_sqlite_exclusive(const pw_store *base)
{
    (void)base;
    return true;
}

static pawl_code failed(pw_sqlite *store, int rc, const char *doing, pawl_error *err)
{
    pawl_code code = pw_sqlite_fail(&store->writer, rc, doing, err);
    if (code == PAWL_IO)
        store->broken = true;
    return code;
}

/* Binds ?1, and ?2 if there is a mask. */
static int run(pw_sqlite *store, pw_sqlite_sql sql, pw_str node, const uint64_t *mask)
{
    pw_query q = pw_query_begin(&store->writer, sql);
    pw_bind_text(&q, 1, node);
    if (mask)
        pw_bind_int(&q, 2, (int64_t)*mask);
    return pw_sqlite_write(store, &q, NULL);
}

static int join_alone(pw_sqlite *store, pw_str node)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_NODE_PUT);
    pw_bind_text(&q, 1, node);
    pw_bind_int(&q, 2, pw_sqlite_now_ms());
    pw_bind_int(&q, 3, PW_STATE_FORMAT);
    int rc = pw_sqlite_write(store, &q, NULL);
    return rc == SQLITE_OK ? run(store, PW_SQLITE_SQL_NODE_DROP_OTHERS, node, NULL) : rc;
}

static int describe(pw_sqlite *store, pw_str node, pw_partitions *out)
{
    *out = (pw_partitions){ .nodes = 1 };
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_PARTITION_LIST);
    pw_bind_text(&q, 1, node);
    while (pw_query_row(&q)) {
        int64_t number = pw_column_int(&q, 0, 0), epoch = pw_column_int(&q, 1, 0);
        if (number < 0 || number >= PW_PARTITIONS || epoch < 0)
            continue; /* the table's constraints forbid it */
        uint64_t bit = UINT64_C(1) << number;
        if (pw_column_int(&q, 2, 0)) {
            out->held |= bit;
            out->epochs[number] = (uint64_t)epoch;
        } else if (pw_column_int(&q, 3, 0)) {
            out->free |= bit;
        }
    }
    return pw_query_end(&q);
}

/* Joins, takes what is wanted of the free ones, and remembers what is held once that is committed.
 */
static pawl_code take(pw_sqlite *store, pw_str node, uint64_t wanted, pw_partitions *out,
                      const char *doing, pawl_error *err)
{
    pw_partitions now;
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    int rc = join_alone(store, node);
    if (rc == SQLITE_OK && wanted)
        rc = run(store, PW_SQLITE_SQL_PARTITION_TAKE, node, &wanted);
    if (rc == SQLITE_OK)
        rc = describe(store, node, &now);
    code = rc == SQLITE_OK ? PAWL_OK : failed(store, rc, doing, err);
    if (code == PAWL_OK) /* under the lock, so before anybody can commit; if it fails, nobody can */
        memcpy(store->epochs, now.epochs, sizeof store->epochs);
    code = pw_sqlite_end(store, code, err);
    if (code == PAWL_OK)
        *out = now;
    return code;
}

pawl_code pw_sqlite_node_beat(pw_store *base, pw_str node, uint64_t lease_ms, pw_partitions *out,
                              pawl_error *err)
{
    (void)lease_ms;
    return take(pw_sqlite_of(base), node, 0, out, "beat", err);
}

pawl_code pw_sqlite_partitions_take(pw_store *base, pw_str node, uint64_t wanted,
                                    pw_partitions *out, pawl_error *err)
{
    return take(pw_sqlite_of(base), node, wanted, out, "take partitions", err);
}

pawl_code pw_sqlite_partitions_give(pw_store *base, pw_str node, uint64_t given, bool leaving,
                                    pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    pw_partitions now;
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    int rc = run(store, PW_SQLITE_SQL_PARTITION_GIVE, node, &given);
    if (rc == SQLITE_OK && leaving)
        rc = run(store, PW_SQLITE_SQL_NODE_DROP, node, NULL);
    if (rc == SQLITE_OK)
        rc = describe(store, node, &now);
    for (uint32_t n = 0; rc == SQLITE_OK && n < PW_PARTITIONS; n++)
        if (now.free >> n & 1)
            store->epochs[n] = 0;
    code = rc == SQLITE_OK ? PAWL_OK : failed(store, rc, "give partitions", err);
    return pw_sqlite_end(store, code, err);
}
