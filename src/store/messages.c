/* messages.c - what all stores have in common for messages from outside: what they refuse, what
 * they say, and reads as in store.c. */
#include "store/store_internal.h"

/* ---- states, and what is said */

static const char *const state_names[] = {
    [PW_MESSAGE_NEW] = "new",
    [PW_MESSAGE_DELIVERED] = "delivered",
    [PW_MESSAGE_KEPT] = "kept",
};

const char *pw_message_state_name(pw_message_state state)
{
    PW_ASSERT((unsigned)state < PW_LENGTH(state_names));
    return state_names[state];
}

bool pw_message_state_parse(pw_message_state *out, pw_str name)
{
    for (unsigned i = 0; i < PW_LENGTH(state_names); i++) {
        if (pw_str_is(name, state_names[i])) {
            *out = (pw_message_state)i;
            return true;
        }
    }
    return false;
}

pawl_code pw_store_more_matchers(pawl_error *err)
{
    return pw_fail(err, PAWL_CONFLICT,
                   "there are ways to look at messages that the hashes do not "
                   "know: read the matchers again");
}

pawl_code pw_store_no_message(pawl_error *err, uint64_t number)
{
    return pw_fail(err, PAWL_NOT_FOUND, "no message %llu", (unsigned long long)number);
}

/* ---- writes */

static pawl_code check_message(const pw_message_row *row, pawl_error *err)
{
    if (!pw_store_fits(row->source, 1, PW_KEY_MAX) || !pw_store_fits(row->id, 1, PW_KEY_MAX) ||
        !pw_store_fits(row->type, 1, PW_KEY_MAX))
        return pw_fail(err, PAWL_INVALID,
                       "message '" PW_FMT "': its source, id and type must have 1 to 1024 bytes "
                       "and no NUL",
                       PW_ARG(pw_store_cut(row->id, 100)));
    if (!pw_store_fits(row->actor, 0, 512))
        return pw_fail(err, PAWL_INVALID,
                       "message '" PW_FMT "': an actor's name must have at most 512 bytes and no "
                       "NUL",
                       PW_ARG(pw_store_cut(row->id, 100)));
    if (row->body.len == 0)
        return pw_fail(err, PAWL_INVALID, "message '" PW_FMT "': it is empty",
                       PW_ARG(pw_store_cut(row->id, 100)));
    return PAWL_OK;
}

pawl_code pw_store_messages_put(pw_store *store, pw_message_row *rows, size_t count,
                                pawl_error *err)
{
    PW_STORE_TIMED(store, MESSAGES);
    for (size_t i = 0; i < count; i++) {
        pawl_code code = check_message(&rows[i], err);
        if (code != PAWL_OK)
            return code;
    }
    return count > 0 ? store->ops->messages_put(store, rows, count, err) : PAWL_OK;
}

static bool is_hash(pw_str hash)
{
    return pw_store_fits(hash, 1, PW_DIGEST_MAX);
}

static pawl_code bad_key(pawl_error *err)
{
    return pw_fail(err, PAWL_INVALID,
                   "a message's hash must have 1 to 128 bytes, its number at most 63 bits");
}

pawl_code pw_store_messages_route(pw_store *store, uint64_t matchers, pw_message_route *routes,
                                  size_t count, int64_t now_ms, pw_delivery_target **targets,
                                  size_t *target_count, pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, MESSAGES);
    for (size_t i = 0; i < count; i++) {
        if (routes[i].number > INT64_MAX)
            return bad_key(err);
        for (size_t j = 0; j < routes[i].count; j++)
            if (!is_hash(routes[i].hashes[j]))
                return bad_key(err);
    }
    *targets = NULL;
    *target_count = 0;
    if (count == 0)
        return PAWL_OK;
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->messages_route(store, matchers, routes, count, now_ms, targets,
                                                target_count, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_message_keys_put(pw_store *store, pw_str matcher, const pw_message_key *keys,
                                    size_t count, bool complete, pawl_error *err)
{
    PW_STORE_TIMED(store, MESSAGES);
    for (size_t i = 0; i < count; i++)
        if (!is_hash(keys[i].hash) || keys[i].number > INT64_MAX)
            return bad_key(err);
    return store->ops->message_keys_put(store, matcher, keys, count, complete, err);
}

pawl_code pw_store_messages_claim(pw_store *store, pw_str instance, uint64_t visit, pw_str hash,
                                  uint32_t most, int64_t now_ms, uint32_t *claimed, pawl_error *err)
{
    PW_STORE_TIMED(store, MESSAGES);
    if (visit > INT64_MAX || !is_hash(hash))
        return bad_key(err);
    return store->ops->messages_claim(store, instance, visit, hash, most, now_ms, claimed, err);
}

pawl_code pw_store_deliveries_give_back(pw_store *store, const pw_delivery_back *rows, size_t count,
                                        pawl_error *err)
{
    PW_STORE_TIMED(store, MESSAGES);
    for (size_t i = 0; i < count; i++)
        if (rows[i].visit > INT64_MAX || rows[i].number > INT64_MAX)
            return bad_key(err);
    return count > 0 ? store->ops->deliveries_give_back(store, rows, count, err) : PAWL_OK;
}

pawl_code pw_store_messages_expire(pw_store *store, int64_t now_ms, uint32_t most,
                                   uint32_t *deleted, pawl_error *err)
{
    PW_STORE_TIMED(store, MESSAGES);
    return store->ops->messages_expire(store, now_ms, most, deleted, err);
}

/* ---- reads */

static uint64_t place(uint64_t after)
{
    return after > INT64_MAX ? INT64_MAX : after; /* behind every row */
}

pawl_code pw_store_messages_new(pw_store *store, uint64_t after, uint32_t limit,
                                pw_message_row **out, size_t *count, pw_arena *arena,
                                pawl_error *err)
{
    PW_STORE_TIMED(store, MESSAGES);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->messages_new(store, place(after), limit, out, count, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_messages_kept(pw_store *store, pw_str type, int64_t now_ms, uint64_t after,
                                 uint32_t limit, pw_message_row **out, size_t *count,
                                 pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, MESSAGES);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code =
        store->ops->messages_kept(store, type, now_ms, place(after), limit, out, count, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_message_get(pw_store *store, pw_str source, pw_str id, pw_message_row *out,
                               pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, MESSAGES);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->message_get(store, source, id, out, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_matchers(pw_store *store, pw_matcher_row **out, size_t *count, pw_arena *arena,
                            pawl_error *err)
{
    PW_STORE_TIMED(store, MESSAGES);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->matchers(store, out, count, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_matcher_count(pw_store *store, uint64_t *all, uint64_t *complete,
                                 pawl_error *err)
{
    PW_STORE_TIMED(store, MESSAGES);
    return store->ops->matcher_count(store, all, complete, err);
}

static const pw_subscription_row before_all = { .instance = { "", 0 } };

pawl_code pw_store_subscriptions_fed(pw_store *store, uint64_t partitions,
                                     const pw_subscription_row *after, uint32_t limit,
                                     pw_subscription_row **out, size_t *count, pw_arena *arena,
                                     pawl_error *err)
{
    PW_STORE_TIMED(store, MESSAGES);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->subscriptions_fed(store, partitions, after ? after : &before_all,
                                                   limit, out, count, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_subscriptions(pw_store *store, pw_str instance, pw_str matcher,
                                 const pw_subscription_row *after, uint32_t limit,
                                 pw_subscription_row **out, size_t *count, pw_arena *arena,
                                 pawl_error *err)
{
    PW_STORE_TIMED(store, MESSAGES);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->subscriptions(
        store, instance, matcher, after ? after : &before_all, limit, out, count, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_deliveries(pw_store *store, pw_str instance, uint64_t after, uint32_t limit,
                              pw_delivery_row **out, size_t *count, pw_arena *arena,
                              pawl_error *err)
{
    PW_STORE_TIMED(store, MESSAGES);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code =
        store->ops->deliveries(store, instance, place(after), limit, out, count, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_deliveries_pending(pw_store *store, uint64_t partitions, pw_str after,
                                      uint32_t limit, pw_str **out, size_t *count, pw_arena *arena,
                                      pawl_error *err)
{
    PW_STORE_TIMED(store, MESSAGES);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code =
        store->ops->deliveries_pending(store, partitions, after, limit, out, count, arena, err);
    return pw_store_read_leave(call, code, err);
}
