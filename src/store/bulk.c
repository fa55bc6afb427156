/* bulk.c - what all stores have in common for bulk operations: what they refuse, what they say. */
#include "store/store_internal.h"

enum { CODE_MAX = 64, MESSAGE_MAX = 480 };

static const char *const states[] = { "running", "stopped", "done" };

const char *pw_bulk_state_name(pw_bulk_state state)
{
    PW_ASSERT((unsigned)state < PW_LENGTH(states));
    return states[state];
}

bool pw_bulk_state_parse(pw_bulk_state *out, pw_str name)
{
    for (size_t i = 0; i < PW_LENGTH(states); i++) {
        if (!pw_str_is(name, states[i]))
            continue;
        *out = (pw_bulk_state)i;
        return true;
    }
    return false;
}

pawl_code pw_store_no_bulk(pawl_error *err, pw_str id)
{
    return pw_fail_reason(err, PAWL_NOT_FOUND, PAWL_REASON_NO_BULK,
                          "there is no bulk operation '" PW_FMT "'", PW_ARG(pw_store_cut(id, 128)));
}

static pawl_code check(const pw_bulk *b, pawl_error *err)
{
    const uint64_t numbers[] = { b->counted, b->done, b->skipped, b->failed, b->epoch };
    bool good =
        (unsigned)b->state < PW_LENGTH(states) && !(b->state == PW_BULK_DONE && b->page.len > 0);
    if (!pw_store_fits(b->id, 1, PW_ID_MAX) || !pw_store_fits(b->request, 1, PW_BULK_REQUEST_MAX) ||
        !pw_store_fits(b->actor, 0, PW_PERSON_MAX) || !pw_store_fits(b->node, 0, PW_NODE_ID_MAX) ||
        !pw_store_fits(b->stopped_by, 0, PW_PERSON_MAX))
        return pw_fail(err, PAWL_INVALID,
                       "a bulk operation must have an id (128 bytes), a request (%u) and an actor "
                       "(512), without NUL",
                       PW_BULK_REQUEST_MAX);
    for (size_t i = 0; i < PW_LENGTH(numbers); i++)
        good = good && numbers[i] < INT64_MAX;
    return good ? PAWL_OK
                : pw_fail(err, PAWL_INVALID,
                          "bulk operation '" PW_FMT "': no such state, count or epoch",
                          PW_ARG(b->id));
}

static pawl_code check_failures(const pw_bulk *b, const pw_bulk_failure *failures, size_t count,
                                pawl_error *err)
{
    bool good = count <= b->failed;
    for (size_t i = 0; i < count && good; i++)
        good = pw_store_fits(failures[i].instance, 1, PW_ID_MAX) &&
               pw_store_fits(failures[i].code, 1, CODE_MAX) &&
               pw_store_fits(failures[i].message, 0, MESSAGE_MAX);
    return good ? PAWL_OK
                : pw_fail(err, PAWL_INVALID,
                          "bulk operation '" PW_FMT "': a failure has an instance (128 bytes), a "
                          "code (64) and a message (480), and is counted",
                          PW_ARG(b->id));
}

/* As it is stored. */
static pw_bulk plain(const pw_bulk *bulk)
{
    pw_bulk b = *bulk;
    if (b.actor.len == 0)
        b.actor = PW_LIT("system");
    if (b.lease_ms < 0 || b.node.len == 0)
        b.lease_ms = -1;
    if (b.state != PW_BULK_DONE)
        b.ended_ms = -1;
    else if (b.ended_ms < 0)
        b.ended_ms = b.changed_ms;
    return b;
}

pawl_code pw_store_bulk_set(pw_store *store, const pw_bulk *bulk, const pw_bulk_failure *failures,
                            size_t count, bool *won, pawl_error *err)
{
    PW_STORE_TIMED(store, BULK);
    pawl_code code = check(bulk, err);
    if (code == PAWL_OK)
        code = check_failures(bulk, failures, count, err);
    if (code != PAWL_OK)
        return code;
    const pw_bulk b = plain(bulk);
    const uint64_t before = b.failed - count;
    const uint64_t room = before < PW_BULK_FAILURES_KEPT ? PW_BULK_FAILURES_KEPT - before : 0;
    bool ours = false;
    code = store->ops->bulk_set(store, &b, failures, count < room ? count : (size_t)room,
                                before + 1, &ours, err);
    if (code == PAWL_OK)
        *won = ours;
    return code;
}

pawl_code pw_store_bulk_get(pw_store *store, pw_str id, pw_bulk *out, pw_bulk_failure **failures,
                            size_t *count, pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, LIST);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->bulk_get(store, id, out, failures, count, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_bulks(pw_store *store, bool at_work, pw_str after, uint32_t limit, pw_bulk **out,
                         size_t *count, pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, LIST);
    pw_bulk last = { .id = { "", 0 }, .created_ms = INT64_MAX };
    if (limit < 1 || limit > PW_PAGE_MAX)
        return pw_fail(err, PAWL_INVALID, "a page has 1 to %u rows, not %u", PW_PAGE_MAX, limit);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code =
        after.len > 0 ? store->ops->bulk_get(store, after, &last, NULL, NULL, arena, err) : PAWL_OK;
    if (code == PAWL_OK)
        code = store->ops->bulks(store, at_work, last.created_ms, last.id, limit, out, count, arena,
                                 err);
    return pw_store_read_leave(call, code, err);
}
