/* watch.c - waiting without a thread.
 *
 * A watch waits at the slot of its instance, and not in memory with the instance itself: ten thousand of them on ten
 * thousand instances that sleep cost some megabytes. A step can be committed only with the instance in
 * memory, so whoever settles it afterwards looks at the watches of its slot; when a watch comes, the row tells whether
 * there is anything to wait for.
 *
 * A watch belongs to its caller until it is closed, to its shard until it is told, and to the message that says that it
 * was closed until that has arrived: the last of them frees it. One lock guards all that is said between them; it is
 * not held while the callback runs.
 *
 *     open --> WATCHER --> at its slot --committed, or there is trouble--> told: callback
 *                             '--------- closed: UNWATCHER ------------> taken away            */
#include "engine/engine.h"

struct pawl_watch {
    pw_message message; /* WATCHER */
    pw_message cancel;  /* UNWATCHER */
    pawl *engine;
    pawl_watch *next;   /* the shard's: at the slot */
    pw_slot *slot;      /* the shard's: where it waits; NULL: nowhere (any more) */
    pawl_watch_fn on_there;
    void *context;
    uint64_t token;
    pthread_t teller;   /* under the lock, from here on */
    uint8_t uses;       /* who may still look at it */
    bool closed, telling, told;
    bool moved;         /* not the end, but any move */
    char id[PW_ID_SIZE];
};

/* ------------------------------------------------------------------ whose it is */

/* Under the lock. */
static void let_go(pawl_watch *watch)
{
    if (--watch->uses == 0)
        pw_free(watch);
}

static void tell(pawl_watch *watch, pawl_code code, const pawl_error *err)
{
    pawl *p = watch->engine;
    (void)pthread_mutex_lock(&p->watch_lock);
    watch->told = true;
    watch->telling = !watch->closed;
    watch->teller = pthread_self();
    bool call = watch->telling;
    (void)pthread_mutex_unlock(&p->watch_lock);
    if (call)
        watch->on_there(watch->context, code, code == PAWL_OK ? NULL : err);
    (void)pthread_mutex_lock(&p->watch_lock);
    watch->telling = false;
    pw_condition_wake(&p->watch_told);
    let_go(watch);
    (void)pthread_mutex_unlock(&p->watch_lock);
}

/* ------------------------------------------------------------------ at the shard */

static bool is_there(const pawl_watch *watch, pw_status status, uint64_t token)
{
    return watch->moved ? token != watch->token : pw_status_ended(status);
}

void pw_watchers_tell(pw_slot *slot, pawl_code code, const pawl_error *err)
{
    pawl_watch **first = pw_slot_watchers(slot);
    while (*first) {
        pawl_watch *watch = *first;
        *first = watch->next;
        watch->slot = NULL;
        tell(watch, code, err);
    }
}

void pw_watchers_look(pw_shard *shard, pw_slot *slot)
{
    const pw_live *live = pw_slot_live(slot);
    pawl_error err = { .code = PAWL_OK };
    for (pawl_watch **at = pw_slot_watchers(slot); *at;) {
        pawl_watch *watch = *at;
        if (!is_there(watch, live->status, live->token)) {
            at = &watch->next;
            continue;
        }
        *at = watch->next;
        watch->slot = NULL;
        if (!pw_shard_sure(shard, live))
            (void)pw_shard_not_ours(shard, pw_live_id(live), &err);
        tell(watch, err.code, &err);
    }
}

/* Of an instance that is not in memory. PAWL_TIMEOUT: it is not there yet. */
static pawl_code look_at_row(pw_shard *shard, const pawl_watch *watch, pawl_error *err)
{
    const pw_str id = { watch->id, PW_ID_LENGTH };
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_instance_row row = { 0 };
    pawl_code code = pw_store_instance_get(shard->engine->store, id, false, &row, &arena, err);
    if (code == PAWL_NOT_FOUND)
        code = pw_fail_reason(err, code, PAWL_REASON_NO_INSTANCE, "there is no instance '%s'", watch->id);
    else if (code == PAWL_OK && !is_there(watch, row.status, row.token))
        code = PAWL_TIMEOUT;
    pw_arena_done(&arena);
    return code;
}

static pawl_code begin(pw_shard *shard, pawl_watch *watch, pawl_error *err)
{
    pw_slot *slot = pw_slot_get(shard, (pw_str){ watch->id, PW_ID_LENGTH });
    if (!slot)
        return pw_no_memory(err);
    const pw_live *live = pw_slot_live(slot);
    pawl_code code = PAWL_TIMEOUT; /* what is on its way into memory tells later */
    if (live && live->state)
        code = is_there(watch, live->status, live->token) ? PAWL_OK : PAWL_TIMEOUT;
    else if (!live)
        code = look_at_row(shard, watch, err);
    if (code == PAWL_TIMEOUT) {
        watch->slot = slot;
        pawl_watch **first = pw_slot_watchers(slot);
        watch->next = *first;
        *first = watch;
    } else {
        pw_slot_drop(shard, slot);
    }
    return code;
}

void pw_watcher_arrives(pw_shard *shard, pw_message *message)
{
    pawl_watch *watch = (pawl_watch *)(void *)message;
    const pw_str id = { watch->id, PW_ID_LENGTH };
    pawl_error err = { .code = PAWL_OK };
    pawl_code code = PAWL_OK;
    if (pw_shard_turned_away(shard, id, &err))
        code = err.code;
    else
        code = begin(shard, watch, &err);
    if ((code == PAWL_OK || code == PAWL_NOT_FOUND) && !pw_shard_sure_of(shard, pw_store_partition(id)))
        code = pw_shard_not_ours(shard, id, &err);
    if (code != PAWL_TIMEOUT)
        tell(watch, code, &err);
}

void pw_watcher_leaves(pw_shard *shard, pw_message *message)
{
    pawl_watch *watch = (pawl_watch *)(void *)((char *)message - offsetof(pawl_watch, cancel));
    pawl *p = watch->engine;
    pw_slot *slot = watch->slot;
    pawl_watch **at = slot ? pw_slot_watchers(slot) : NULL;
    while (at && *at != watch)
        at = &(*at)->next;
    if (at)
        *at = watch->next;
    (void)pthread_mutex_lock(&p->watch_lock);
    if (slot)
        let_go(watch); /* the shard's, which tells nobody any more */
    let_go(watch);
    (void)pthread_mutex_unlock(&p->watch_lock);
    if (slot)
        pw_slot_drop(shard, slot);
}

/* ------------------------------------------------------------------ for callers */

pawl_code pawl_watch_open(pawl_watch **out, pawl *p, const char *id, pawl_watch_for what, uint64_t token,
                          pawl_watch_fn on_there, void *context, pawl_error *err)
{
    pw_str instance;
    pawl_code code = pw_engine_may_write(p, err);
    if (code == PAWL_OK)
        code = pw_id_check(&instance, id, err);
    if (code != PAWL_OK)
        return code;
    if (!out || !on_there || (what != PAWL_WATCH_END && what != PAWL_WATCH_MOVED))
        return pw_fail(err, PAWL_INVALID, "watch: out or the function is NULL, or it is none of pawl_watch_for");
    pawl_watch *watch = pw_zalloc(sizeof *watch);
    if (!watch)
        return pw_no_memory(err);
    *watch = (pawl_watch){ .message.kind = PW_MESSAGE_WATCHER,
                           .cancel.kind = PW_MESSAGE_UNWATCHER,
                           .engine = p,
                           .on_there = on_there,
                           .context = context,
                           .token = token,
                           .moved = what == PAWL_WATCH_MOVED,
                           .uses = 2 };
    memcpy(watch->id, instance.ptr, PW_ID_LENGTH);
    *out = watch; /* the callback may need it before this returns */
    pw_mailbox_message(&pw_engine_shard_of(p, instance)->mailbox, &watch->message);
    return PAWL_OK;
}

void pawl_watch_close(pawl_watch *watch)
{
    if (!watch)
        return;
    pawl *p = watch->engine;
    (void)pthread_mutex_lock(&p->watch_lock);
    watch->closed = true;
    while (watch->telling && !pthread_equal(watch->teller, pthread_self()))
        (void)pw_condition_wait(&p->watch_told, &p->watch_lock, UINT64_MAX);
    bool cancel = !watch->told;
    if (!cancel) /* else its use goes over to the message */
        let_go(watch);
    (void)pthread_mutex_unlock(&p->watch_lock);
    if (cancel)
        pw_mailbox_message(&pw_engine_shard_of(p, (pw_str){ watch->id, PW_ID_LENGTH })->mailbox, &watch->cancel);
}
