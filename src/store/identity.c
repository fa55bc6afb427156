/* identity.c - what all stores have in common for tokens, and for commands under a key: what they
 * refuse, what they say. */
#include "store/store_internal.h"

/* ---- what is said */

pawl_code pw_store_principal_conflict(pawl_error *err, pw_str id)
{
    return pw_fail(err, PAWL_CONFLICT,
                   "token '" PW_FMT "', or one with its digest, is there already",
                   PW_ARG(pw_store_cut(id, PW_ID_MAX)));
}

pawl_code pw_store_no_token(pawl_error *err)
{
    return pw_fail(err, PAWL_NOT_FOUND, "there is no such token");
}

pawl_code pw_store_request_conflict(pawl_error *err, pw_str key)
{
    return pw_fail_reason(err, PAWL_CONFLICT, PAWL_REASON_REQUEST_REUSED,
                          "the key '" PW_FMT "' was used for another request: use a new one",
                          PW_ARG(pw_store_cut(key, 200)));
}

/* ---- tokens */

pawl_code pw_store_principal_put(pw_store *store, const pw_principal *principal, pawl_error *err)
{
    PW_STORE_TIMED(store, IDENTITY);
    if (!pw_store_fits(principal->id, 1, PW_ID_MAX) ||
        !pw_store_fits(principal->name, 1, PW_PERSON_MAX) ||
        !pw_store_fits(principal->digest, 1, PW_DIGEST_MAX) || principal->roles.len == 0)
        return pw_fail(
            err, PAWL_INVALID,
            "a token must have an id (128 bytes), a name (512), a digest (128) and roles");
    return store->ops->principal_put(store, principal, err);
}

pawl_code pw_store_principal_revoke(pw_store *store, pw_str id, pw_str by, int64_t now_ms,
                                    pawl_error *err)
{
    PW_STORE_TIMED(store, IDENTITY);
    return store->ops->principal_revoke(store, id, by, now_ms, err);
}

pawl_code pw_store_principal_get(pw_store *store, pw_str digest, pw_principal *out, pw_arena *arena,
                                 pawl_error *err)
{
    PW_STORE_TIMED(store, IDENTITY);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->principal_get(store, digest, out, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_principals(pw_store *store, pw_principal **out, size_t *count, pw_arena *arena,
                              pawl_error *err)
{
    PW_STORE_TIMED(store, LIST);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->principals(store, out, count, arena, err);
    return pw_store_read_leave(call, code, err);
}

/* ---- commands under a key */

pawl_code pw_store_request_put(pw_store *store, pw_str actor, pw_str key, pw_str digest,
                               int64_t now_ms, bool *seen, pawl_error *err)
{
    PW_STORE_TIMED(store, IDENTITY);
    if (!pw_store_fits(actor, 0, PW_PERSON_MAX) || !pw_store_fits(key, 1, PW_KEY_MAX) ||
        !pw_store_fits(digest, 1, PW_DIGEST_MAX))
        return pw_fail(err, PAWL_INVALID,
                       "a request's actor must have at most 512 bytes, its key 1 to 1024, its "
                       "digest 1 to 128");
    return store->ops->request_put(store, actor, key, digest, now_ms, seen, err);
}

pawl_code pw_store_requests_expire(pw_store *store, int64_t before_ms, uint32_t most,
                                   uint32_t *deleted, pawl_error *err)
{
    PW_STORE_TIMED(store, IDENTITY);
    return store->ops->requests_expire(store, before_ms, most, deleted, err);
}

pawl_code pw_store_answers_expire(pw_store *store, int64_t before_ms, uint32_t most,
                                  uint32_t *deleted, pawl_error *err)
{
    PW_STORE_TIMED(store, INBOX);
    return store->ops->answers_expire(store, before_ms, most, deleted, err);
}
