/* wait.c - a thread of the caller waits until an instance is somewhere, with the children that it waits for. */
#include "engine/engine.h"

typedef struct wait_request {
    pawl *p;
    pw_watch_kind kind;
    bool once; /* only look */
    uint64_t deadline_ns;
} wait_request;

/* Until this one is there, whatever its children do. */
static pawl_code wait_for_one(const wait_request *request, pw_str id, pawl_error *err)
{
    pw_watch watch = { .message.kind = PW_MESSAGE_WATCH,
                       .cancel.kind = PW_MESSAGE_UNWATCH,
                       .instance = id,
                       .kind = request->kind,
                       .once = request->once };
    pawl_code code = pw_reply_init(&watch.reply, err);
    if (code != PAWL_OK)
        return code;
    code = pw_reply_init(&watch.withdrawn, err);
    if (code != PAWL_OK) {
        pw_reply_done(&watch.reply);
        return code;
    }
    pw_mailbox *box = &pw_engine_shard_of(request->p, id)->mailbox;
    pw_mailbox_message(box, &watch.message);
    if (!pw_reply_wait(&watch.reply, request->deadline_ns)) {
        /* Both messages are the shard's until it says so, even if the answer comes meanwhile. */
        pw_mailbox_message(box, &watch.cancel);
        (void)pw_reply_wait(&watch.withdrawn, UINT64_MAX);
    }
    pw_reply_done(&watch.withdrawn);
    pw_reply_done(&watch.reply);
    if (watch.code == PAWL_OK)
        return PAWL_OK;
    if (watch.code == PAWL_TIMEOUT)
        return pw_fail(err, PAWL_TIMEOUT, "instance " PW_FMT " is not there yet", PW_ARG(id));
    if (err) {
        *err = watch.error;
        err->code = watch.code;
    }
    return watch.code;
}

/* *found: there is such a row. *again: it has had its effect just now, or will have it soon. */
static pawl_code look_at_row(const wait_request *request, pw_str target, pw_str key, bool *found,
                             bool *again, pw_arena *arena, pawl_error *err)
{
    pawl *p = request->p;
    pw_inbox_row row;
    bool whole;
    pawl_code code = pw_store_inbox_get(p->store, target, key, &row, arena, err);
    *found = code == PAWL_OK;
    if (code == PAWL_NOT_FOUND)
        return PAWL_OK;
    if (code == PAWL_OK && request->once)
        return pw_fail(err, PAWL_TIMEOUT, "what was sent to " PW_FMT " is not there yet",
                       PW_ARG(target));
    *again = code == PAWL_OK;
    if (code != PAWL_OK || row.consumed_step > 0)
        return code;
    pw_recovery_inbox(p->recovery);
    return pw_recovery_round(p->recovery, request->deadline_ns, &whole, err);
}

/* What the two have sent each other may still be on its way: the start of a child that is not there, or
 * the end of one that is as far as it comes. */
static pawl_code look_for_rows(const wait_request *request, pw_str parent, pw_str child, bool begun,
                               bool *again, pw_arena *arena, pawl_error *err)
{
    bool found = false;
    pawl_code code = PAWL_OK;
    if (!begun)
        code = look_at_row(request, child, PW_LIT("start"), &found, again, arena, err);
    if (code != PAWL_OK || found)
        return code;
    pw_str key = pw_arena_printf(arena, "child-" PW_FMT, PW_ARG(child));
    return key.ptr ? look_at_row(request, parent, key, &found, again, arena, err)
                   : pw_no_memory(err);
}

static pawl_code wait_with_children(const wait_request *request, pw_str id, pawl_error *err);

/* *again: the instance has moved since, because of one of them. */
static pawl_code wait_for_children(const wait_request *request, pw_str id, bool *again,
                                   pw_arena *arena, pawl_error *err)
{
    pw_store *store = request->p->store;
    pw_instance_row row = { 0 }, after = { 0 };
    pw_bookmark_row *bookmarks = NULL;
    size_t count = 0, children = 0;
    *again = false;
    pawl_code code = pw_store_instance_get(store, id, false, &row, arena, err);
    if (code == PAWL_OK && row.status != PW_SUSPENDED)
        code = pw_store_bookmarks(store, id, true, &bookmarks, &count, arena, err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++) {
        if (bookmarks[i].bookmark.kind != PW_BOOKMARK_CHILD)
            continue;
        children++;
        code = wait_with_children(request, bookmarks[i].bookmark.key, err);
        if (code == PAWL_OK || code == PAWL_NOT_FOUND)
            code = look_for_rows(request, id, bookmarks[i].bookmark.key, code == PAWL_OK, again,
                                 arena, err);
        else if (code == PAWL_BUSY && !atomic_load(&request->p->closing))
            code = PAWL_OK; /* another node's: this process knows no more */
    }
    if (code != PAWL_OK || children == 0)
        return code;
    code = wait_for_one(request, id, err); /* it may hear of an end just now */
    if (code == PAWL_OK)
        code = pw_store_instance_get(store, id, false, &after, arena, err);
    *again = code == PAWL_OK && (*again || after.token != row.token);
    return code;
}

/* One that waits for a child is not settled before the child is. Recursion is bounded by how deep
 * workflows may run each other. */
static pawl_code wait_with_children(const wait_request *request, pw_str id, pawl_error *err)
{
    pawl_code code;
    bool again = false;
    do {
        code = wait_for_one(request, id, err);
        if (code != PAWL_OK || request->kind == PW_WATCH_END)
            return code;
        pw_arena arena;
        pw_arena_init(&arena, 0);
        code = wait_for_children(request, id, &again, &arena, err);
        pw_arena_done(&arena);
    } while (code == PAWL_OK && again);
    return code;
}

pawl_code pawl_wait(pawl *p, const char *id, pawl_wait_for what, uint64_t timeout_ms, char **out,
                    pawl_error *err)
{
    static const pw_watch_kind kinds[] = { [PAWL_WAIT_END] = PW_WATCH_END,
                                           [PAWL_WAIT_SETTLED] = PW_WATCH_SETTLED,
                                           [PAWL_WAIT_IDLE] = PW_WATCH_IDLE };
    pw_str instance;
    pawl_code code = pw_engine_may_write(p, err);
    if (code == PAWL_OK)
        code = pw_id_check(&instance, id, err);
    if (code != PAWL_OK)
        return code;
    if ((unsigned)what >= PW_LENGTH(kinds))
        return pw_fail(err, PAWL_INVALID, "wait: what to wait for is none of pawl_wait_for");
    uint64_t now = pw_monotonic_ns();
    bool endless = timeout_ms == 0 || timeout_ms > (UINT64_MAX - now) / 1000000u;
    const wait_request request = { .p = p,
                                   .kind = kinds[what],
                                   .once = timeout_ms == 0,
                                   .deadline_ns =
                                       endless ? UINT64_MAX : now + timeout_ms * 1000000u };
    code = wait_with_children(&request, instance, err);
    return code == PAWL_OK && out ? pawl_show(p, id, out, err) : code;
}
