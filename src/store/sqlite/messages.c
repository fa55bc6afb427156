/* messages.c - messages from outside: what is received, who gets it, what is kept.
 *
 * All of it is decided here, in a transaction of the one writer, so who subscribes and what arrives
 * are in one order: a message finds the subscriptions that were committed before its routing, and
 * leaves a key, if it finds none, for those that come after.
 *
 * What a message costs does not grow with who waits for something else: a subscription is found by
 * its hash. Each function may be repeated when its answer was lost. */
#include "store/sqlite/sqlite_internal.h"

/* ---- rows of a step */

static int insert_subscription(pw_sqlite *store, const pw_commit_item *item,
                               const pw_subscription *s, int *changes)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_SUBSCRIPTION_PUT);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_int(&q, 2, (int64_t)s->visit);
    pw_bind_int(&q, 3, s->ordinal);
    pw_bind_text(&q, 4, s->matcher.digest);
    pw_bind_text(&q, 5, s->hash);
    return pw_sqlite_write(store, &q, changes);
}

/* The matcher is there, but for the first time; so it is looked for by the way. */
int pw_sqlite_subscription_put(pw_sqlite *store, pw_commit_item *item, const pw_subscription *s)
{
    int changes = 0;
    int rc = insert_subscription(store, item, s, &changes);
    if (rc != SQLITE_OK || changes > 0)
        return rc;
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_MATCHER_PUT);
    pw_bind_text(&q, 1, s->matcher.digest);
    pw_bind_optional(&q, 2, s->matcher.type);
    pw_bind_text(&q, 3, s->matcher.parts);
    rc = pw_sqlite_write(store, &q, &changes);
    if (rc == SQLITE_OK && changes > 0)
        rc = insert_subscription(store, item, s, &changes);
    if (rc == SQLITE_OK && changes == 0)
        (void)pw_store_nothing_listens(item, s);
    return rc;
}

int pw_sqlite_subscription_end(pw_sqlite *store, pw_commit_item *item,
                               const pw_subscription_end *end)
{
    int changes = 0;
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_SUBSCRIPTION_END);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_int(&q, 2, (int64_t)end->visit);
    pw_bind_int(&q, 3, end->ordinal);
    int rc = pw_sqlite_write(store, &q, &changes);
    if (rc == SQLITE_OK && changes == 0)
        (void)pw_store_no_such_subscription(item, end);
    return rc;
}

int pw_sqlite_subscriptions_end(pw_sqlite *store, const pw_commit_item *item, uint64_t visit)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_SUBSCRIPTIONS_END);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_int(&q, 2, (int64_t)visit);
    return pw_sqlite_write(store, &q, NULL);
}

int pw_sqlite_subscriptions_end_all(pw_sqlite *store, const pw_commit_item *item)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_SUBSCRIPTIONS_END_ALL);
    pw_bind_text(&q, 1, item->instance);
    return pw_sqlite_write(store, &q, NULL);
}

static pw_query of_delivery(pw_sqlite *store, pw_sqlite_sql sql, pw_str instance, uint64_t visit,
                            uint64_t number)
{
    pw_query q = pw_query_begin(&store->writer, sql);
    pw_bind_text(&q, 1, instance);
    pw_bind_int(&q, 2, (int64_t)visit);
    pw_bind_int(&q, 3, (int64_t)number);
    return q;
}

int pw_sqlite_delivery_take(pw_sqlite *store, pw_commit_item *item, const pw_message_taken *taken)
{
    int changes = 0;
    pw_query q = of_delivery(store, PW_SQLITE_SQL_DELIVERY_TAKE, item->instance, taken->visit,
                             taken->number);
    pw_bind_int(&q, 4, (int64_t)item->token + 1);
    int rc = pw_sqlite_write(store, &q, &changes);
    if (rc != SQLITE_OK || changes > 0)
        return rc;
    int64_t step = 0;
    bool found = false;
    q = of_delivery(store, PW_SQLITE_SQL_DELIVERY_GET, item->instance, taken->visit, taken->number);
    rc = pw_sqlite_look(store, &q, &step, &found);
    if (rc == SQLITE_OK)
        (void)pw_store_not_delivered(item, taken, found && step > 0);
    return rc;
}

/* ---- statements about one message */

/* Binds ?1 and looks, or writes. */
static int look_at(pw_sqlite *store, pw_sqlite_sql sql, uint64_t number, int64_t *value)
{
    bool found = false;
    pw_query q = pw_query_begin(&store->writer, sql);
    pw_bind_int(&q, 1, (int64_t)number);
    return pw_sqlite_look(store, &q, value, &found);
}

static int change(pw_sqlite *store, pw_sqlite_sql sql, uint64_t number)
{
    pw_query q = pw_query_begin(&store->writer, sql);
    pw_bind_int(&q, 1, (int64_t)number);
    return pw_sqlite_write(store, &q, NULL);
}

static int move(pw_sqlite *store, uint64_t number, pw_message_state state)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_MESSAGE_MOVE);
    pw_bind_int(&q, 1, (int64_t)number);
    pw_bind_text(&q, 2, pw_str_of(pw_message_state_name(state)));
    return pw_sqlite_write(store, &q, NULL);
}

static int put_key(pw_sqlite *store, pw_str hash, uint64_t number)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_MESSAGE_KEY_PUT);
    pw_bind_text(&q, 1, hash);
    pw_bind_int(&q, 2, (int64_t)number);
    return pw_sqlite_write(store, &q, NULL);
}

/* Reads the state at this column; the row may be damaged. */
static bool state_at(pw_query *q, int at, pw_message_state *out)
{
    pw_str name = { sqlite3_column_blob(q->statement, at),
                    (size_t)sqlite3_column_bytes(q->statement, at) };
    return pw_message_state_parse(out, name);
}

static pawl_code bad_state(const pw_sqlite *store, pawl_error *err)
{
    return pw_fail(err, PAWL_CORRUPT,
                   "'%s' is damaged: table message: a state is none that this program knows: "
                   "restore it from a backup",
                   store->writer.shown);
}

/* ---- what is received */

static int put_one(pw_sqlite *store, pw_message_row *row, bool *bad)
{
    int64_t number = 0;
    bool made = false;
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_MESSAGE_PUT);
    pw_bind_text(&q, 1, row->source);
    pw_bind_text(&q, 2, row->id);
    pw_bind_text(&q, 3, row->type);
    pw_bind_text(&q, 4, row->actor.len ? row->actor : PW_LIT("system"));
    pw_bind_int(&q, 5, row->received_ms);
    pw_bind_int(&q, 6, row->expires_ms);
    pw_bind_text(&q, 7, row->body);
    pw_bind_int(&q, 8, (int64_t)row->nonce);
    int rc = pw_sqlite_write_returning(store, &q, &number, &made);
    row->existed = !made;
    row->state = PW_MESSAGE_NEW;
    if (rc == SQLITE_OK && !made) {
        q = pw_query_begin(&store->writer, PW_SQLITE_SQL_MESSAGE_NAMED);
        pw_bind_text(&q, 1, row->source);
        pw_bind_text(&q, 2, row->id);
        if (pw_query_row(&q)) {
            number = pw_column_int(&q, 0, 0);
            *bad = !state_at(&q, 1, &row->state);
        }
        rc = pw_sqlite_looked(store, &q);
    }
    row->number = (uint64_t)number;
    return rc;
}

static pawl_code put_all(pw_sqlite *store, pw_message_row *rows, size_t count, pawl_error *err)
{
    int rc = SQLITE_OK;
    bool bad = false;
    for (size_t i = 0; i < count && rc == SQLITE_OK && !bad; i++)
        rc = put_one(store, &rows[i], &bad);
    if (rc != SQLITE_OK)
        return pw_sqlite_write_failed(store, rc, "receive messages", err);
    return bad ? bad_state(store, err) : PAWL_OK;
}

pawl_code pw_sqlite_messages_put(pw_store *base, pw_message_row *rows, size_t count,
                                 pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    return pw_sqlite_end(store, put_all(store, rows, count, err), err);
}

/* ---- who gets it */

typedef struct routing {
    pw_sqlite *store;
    int64_t now_ms;
    pw_delivery_target *targets;
    size_t count, room;
    pw_arena *arena;
    pawl_error *err;
} routing;

static bool add_target(routing *r, pw_query *q)
{
    if (r->count == r->room) {
        size_t room = r->room ? 2 * r->room : 16;
        void *grown = pw_arena_grow(r->arena, r->targets, r->room * sizeof *r->targets,
                                    room * sizeof *r->targets);
        if (!grown)
            return false;
        r->targets = grown;
        r->room = room;
    }
    pw_str instance = pw_column_text(q, 0, r->arena);
    r->targets[r->count++] = (pw_delivery_target){ instance, pw_store_partition(instance) };
    return !r->arena->failed;
}

/* To all that wait for this hash, in one statement however many they are. */
static int deliver(routing *r, pw_message_route *route, pw_str hash)
{
    pw_query q = pw_query_begin(&r->store->writer, PW_SQLITE_SQL_DELIVERY_ROUTE);
    pw_bind_text(&q, 1, hash);
    pw_bind_int(&q, 2, (int64_t)route->number);
    pw_bind_int(&q, 3, r->now_ms);
    while (pw_query_row(&q)) {
        route->delivered++;
        if (!add_target(r, &q))
            break; /* seen at the end */
    }
    return pw_sqlite_write(r->store, &q, NULL);
}

static int keep_or_not(routing *r, pw_message_route *route)
{
    int64_t lives = route->delivered > 0;
    int rc = SQLITE_OK;
    if (!lives)
        rc = look_at(r->store, PW_SQLITE_SQL_DELIVERY_LIVES, route->number, &lives);
    route->state = lives ? PW_MESSAGE_DELIVERED : PW_MESSAGE_KEPT;
    if (rc == SQLITE_OK)
        rc = move(r->store, route->number, route->state);
    for (size_t i = 0; rc == SQLITE_OK && !lives && i < route->count; i++)
        rc = put_key(r->store, route->hashes[i], route->number);
    return rc;
}

static pawl_code route_one(routing *r, pw_message_route *route)
{
    route->delivered = 0;
    pw_query q = pw_query_begin(&r->store->writer, PW_SQLITE_SQL_MESSAGE_STATE);
    pw_bind_int(&q, 1, (int64_t)route->number);
    bool found = pw_query_row(&q), good = found && state_at(&q, 0, &route->state);
    int rc = pw_sqlite_looked(r->store, &q);
    if (rc == SQLITE_OK && !found)
        return pw_store_no_message(r->err, route->number);
    if (rc == SQLITE_OK && !good)
        return bad_state(r->store, r->err);
    if (rc == SQLITE_OK && route->state != PW_MESSAGE_NEW)
        return PAWL_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < route->count; i++)
        rc = deliver(r, route, route->hashes[i]);
    if (rc == SQLITE_OK)
        rc = keep_or_not(r, route);
    if (rc != SQLITE_OK)
        return pw_sqlite_write_failed(r->store, rc, "route messages", r->err);
    return r->arena->failed ? pw_no_memory(r->err) : PAWL_OK;
}

static pawl_code check_matchers(pw_sqlite *store, uint64_t matchers, pawl_error *err)
{
    int64_t all = 0;
    bool found = false;
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_MATCHER_COUNT);
    int rc = pw_sqlite_look(store, &q, &all, &found);
    if (rc != SQLITE_OK)
        return pw_sqlite_write_failed(store, rc, "route messages", err);
    return (uint64_t)all > matchers ? pw_store_more_matchers(err) : PAWL_OK;
}

pawl_code pw_sqlite_messages_route(pw_store *base, uint64_t matchers, pw_message_route *routes,
                                   size_t count, int64_t now_ms, pw_delivery_target **targets,
                                   size_t *target_count, pw_arena *arena, pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    routing r = { .store = store, .now_ms = now_ms, .arena = arena, .err = err };
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    code = check_matchers(store, matchers, err);
    for (size_t i = 0; code == PAWL_OK && i < count; i++)
        code = route_one(&r, &routes[i]);
    code = pw_sqlite_end(store, code, err);
    if (code == PAWL_OK) {
        *targets = r.targets;
        *target_count = r.count;
    }
    return code;
}

/* ---- what is kept */

pawl_code pw_sqlite_message_keys_put(pw_store *base, pw_str matcher, const pw_message_key *keys,
                                     size_t count, bool complete, pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    int rc = SQLITE_OK, changes = 1;
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++)
        rc = put_key(store, keys[i].hash, keys[i].number);
    if (rc == SQLITE_OK && complete) {
        pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_MATCHER_COMPLETE);
        pw_bind_text(&q, 1, matcher);
        rc = pw_sqlite_write(store, &q, &changes);
    }
    if (rc != SQLITE_OK)
        code = pw_sqlite_write_failed(store, rc, "store keys of messages", err);
    else if (changes == 0)
        code = pw_store_not_found(err, "matcher", matcher);
    return pw_sqlite_end(store, code, err);
}

/* The next after *number, if there is one. */
static int claim_one(pw_sqlite *store, pw_str instance, uint64_t visit, pw_str hash, int64_t now_ms,
                     int64_t *number, bool *found)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_MESSAGE_CLAIM);
    pw_bind_text(&q, 1, instance);
    pw_bind_int(&q, 2, (int64_t)visit);
    pw_bind_text(&q, 3, hash);
    pw_bind_int(&q, 4, now_ms);
    pw_bind_int(&q, 5, *number);
    int rc = pw_sqlite_look(store, &q, number, found);
    if (rc != SQLITE_OK || !*found)
        return rc;
    uint64_t it = (uint64_t)*number;
    q = of_delivery(store, PW_SQLITE_SQL_DELIVERY_PUT, instance, visit, it);
    pw_bind_int(&q, 4, pw_store_partition(instance));
    pw_bind_int(&q, 5, now_ms);
    rc = pw_sqlite_write(store, &q, NULL);
    if (rc == SQLITE_OK)
        rc = move(store, it, PW_MESSAGE_DELIVERED);
    return rc == SQLITE_OK ? change(store, PW_SQLITE_SQL_MESSAGE_KEYS_DROP, it) : rc;
}

pawl_code pw_sqlite_messages_claim(pw_store *base, pw_str instance, uint64_t visit, pw_str hash,
                                   uint32_t most, int64_t now_ms, uint32_t *claimed,
                                   pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    int rc = SQLITE_OK;
    int64_t number = 0;
    uint32_t got = 0;
    for (bool found = true; rc == SQLITE_OK && got < most; got += found) {
        rc = claim_one(store, instance, visit, hash, now_ms, &number, &found);
        if (!found)
            break;
    }
    if (rc != SQLITE_OK)
        code = pw_sqlite_write_failed(store, rc, "claim messages", err);
    code = pw_sqlite_end(store, code, err);
    if (code == PAWL_OK)
        *claimed = got;
    return code;
}

pawl_code pw_sqlite_deliveries_give_back(pw_store *base, const pw_delivery_back *rows, size_t count,
                                         pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
        int changes = 0;
        pw_query q = of_delivery(store, PW_SQLITE_SQL_DELIVERY_GIVE_BACK, rows[i].instance,
                                 rows[i].visit, rows[i].number);
        rc = pw_sqlite_write(store, &q, &changes);
        if (rc == SQLITE_OK && changes > 0)
            rc = change(store, PW_SQLITE_SQL_MESSAGE_FREE, rows[i].number);
    }
    if (rc != SQLITE_OK)
        code = pw_sqlite_write_failed(store, rc, "give messages back", err);
    return pw_sqlite_end(store, code, err);
}

/* ---- what goes */

/* The next after (*expires_ms, *number), if there is one; its keys go with it. */
static int expire_one(pw_sqlite *store, int64_t now_ms, int64_t *expires_ms, int64_t *number,
                      bool *found)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_MESSAGE_EXPIRED);
    pw_bind_int(&q, 1, now_ms);
    pw_bind_int(&q, 2, *expires_ms);
    pw_bind_int(&q, 3, *number);
    *found = pw_query_row(&q);
    if (*found) {
        *number = pw_column_int(&q, 0, 0);
        *expires_ms = pw_column_int(&q, 1, 0);
    }
    int rc = pw_sqlite_looked(store, &q);
    if (rc == SQLITE_OK && *found)
        rc = change(store, PW_SQLITE_SQL_DELIVERY_FORGET, (uint64_t)*number);
    return rc == SQLITE_OK && *found ? change(store, PW_SQLITE_SQL_MESSAGE_DROP, (uint64_t)*number)
                                     : rc;
}

pawl_code pw_sqlite_messages_expire(pw_store *base, int64_t now_ms, uint32_t most,
                                    uint32_t *deleted, pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    bool any = false; /* who asks every few seconds does not take the writer for nothing */
    *deleted = 0;
    pawl_code code = pw_sqlite_message_has_expired(base, now_ms, &any, err);
    if (code == PAWL_OK && any)
        code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK || !any)
        return code;
    int rc = SQLITE_OK;
    int64_t expires_ms = INT64_MIN, number = 0;
    uint32_t gone = 0;
    for (bool found = true; rc == SQLITE_OK && gone < most; gone += found) {
        rc = expire_one(store, now_ms, &expires_ms, &number, &found);
        if (!found)
            break;
    }
    if (rc != SQLITE_OK)
        code = pw_sqlite_write_failed(store, rc, "delete messages", err);
    code = pw_sqlite_end(store, code, err);
    if (code == PAWL_OK)
        *deleted = gone;
    return code;
}
