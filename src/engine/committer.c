/* committer.c - group commit, and what to do when the store fails.
 *
 * After PAWL_IO the outcome of the batch is unknown: the store is opened again and each item's step
 * is looked for before anybody hears anything. What is there was committed; what is not is tried
 * again. When the second try fails too, the engine is told that the store fails (its callers get an
 * answer), commands that are certainly not there are handed back with the error, and the rest -
 * results, timers, which nobody would repeat - is tried every second until the store works; where the disk is full, once it has
 * room again.
 *
 *     commit --ok, or nothing was written--> hand back
 *       '--IO--> wait --> reopen --> look --> commit again --ok--> hand back
 *                 ^                            '--fails--> tell, hand commands back --.
 *                 '--------------------------------------------------------------------'   */
#include "engine/committer.h"

enum { FIRST_WAIT_MS = 50, NEXT_WAIT_MS = 1000 };

struct pw_committer {
    pw_store *store;
    pw_committer_hooks hooks;
    pthread_mutex_t lock; /* of what follows, up to the next blank line */
    pthread_cond_t filled;
    pw_commit *first, **last;
    bool stop, closing, suspect;
    pawl_error suspicion;

    /* the thread's own */
    bool told; /* that the store fails */
    pw_commit *batch[PW_BATCH_MAX];
    pw_commit_item items[PW_BATCH_MAX];
    size_t count;
};

pawl_code pw_committer_new(pw_committer **out, pw_store *store, const pw_committer_hooks *hooks,
                           pawl_error *err)
{
    pw_committer *c = pw_zalloc(sizeof *c);
    if (!c)
        return pw_no_memory(err);
    c->store = store;
    c->hooks = *hooks;
    c->last = &c->first;
    int failed = pthread_mutex_init(&c->lock, NULL);
    pawl_code code =
        failed ? pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory") : PAWL_OK;
    if (code == PAWL_OK && (code = pw_condition_init(&c->filled, err)) != PAWL_OK)
        (void)pthread_mutex_destroy(&c->lock);
    if (code != PAWL_OK) {
        pw_free(c);
        return code;
    }
    *out = c;
    return PAWL_OK;
}

void pw_committer_free(pw_committer *c)
{
    if (!c)
        return;
    PW_ASSERT(c->first == NULL);
    pw_condition_done(&c->filled);
    (void)pthread_mutex_destroy(&c->lock);
    pw_free(c);
}

void pw_committer_push(pw_committer *c, pw_commit *commit)
{
    commit->next = NULL;
    (void)pthread_mutex_lock(&c->lock);
    *c->last = commit;
    c->last = &commit->next;
    pw_condition_wake(&c->filled);
    (void)pthread_mutex_unlock(&c->lock);
}

void pw_committer_suspect(pw_committer *c, const pawl_error *err)
{
    (void)pthread_mutex_lock(&c->lock);
    c->suspect = true;
    c->suspicion = *err;
    pw_condition_wake(&c->filled);
    (void)pthread_mutex_unlock(&c->lock);
}

static void raise_flag(pw_committer *c, bool *flag)
{
    (void)pthread_mutex_lock(&c->lock);
    *flag = true;
    pw_condition_wake(&c->filled);
    (void)pthread_mutex_unlock(&c->lock);
}

void pw_committer_closing(pw_committer *c)
{
    raise_flag(c, &c->closing);
}

void pw_committer_stop(pw_committer *c)
{
    raise_flag(c, &c->stop);
}

/* ------------------------------------------------------------------ the batch */

static void hand_back(pw_committer *c, size_t at, pawl_code code, const pawl_error *err)
{
    pw_commit *commit = c->batch[at];
    commit->item.code = code;
    if (code != PAWL_OK && err)
        commit->item.error = *err;
    c->batch[at] = NULL;
    pw_mailbox_commit(pw_shard_mailbox(commit->shard), commit);
}

/* Closes the gaps that hand_back() left. */
static void compact(pw_committer *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++)
        if (c->batch[i])
            c->batch[kept++] = c->batch[i];
    c->count = kept;
}

static void hand_back_all(pw_committer *c, pawl_code code, const pawl_error *err)
{
    for (size_t i = 0; i < c->count; i++)
        hand_back(c, i, code, err);
    c->count = 0;
}

/* PAWL_OK: every item has its own code and was handed back. */
static pawl_code try_commit(pw_committer *c, pawl_error *err)
{
    if (c->count == 0)
        return PAWL_OK;
    for (size_t i = 0; i < c->count; i++) {
        c->items[i] = c->batch[i]->item;
        c->items[i].code = PAWL_OK;
    }
    PW_FAULT("engine-before-commit");
    pawl_code code = pw_store_commit(c->store, c->items, c->count, err);
    if (code != PAWL_OK)
        return code;
    PW_FAULT("engine-after-commit");
    for (size_t i = 0; i < c->count; i++) {
        c->batch[i]->item.fenced = c->items[i].fenced;
        c->batch[i]->item.used = c->items[i].used;
    }
    for (size_t i = 0; i < c->count; i++)
        hand_back(c, i, c->items[i].code, &c->items[i].error);
    c->count = 0;
    return PAWL_OK;
}

/* Is the item's step in the store? In one epoch one node decides, and at most one transition of an
 * instance is uncommitted: so the step of that number and epoch is this one, and one of another
 * epoch is another node's, which was first. But of a first step under a key: it may be that of an
 * earlier start in the same epoch, so its nonce tells. */
static pawl_code look(pw_committer *c, const pw_commit_item *item, pw_arena *arena, bool *there,
                      bool *lost, pawl_error *err)
{
    pw_step_row *rows = NULL;
    size_t count = 0;
    pawl_code code =
        pw_store_steps(c->store, item->instance, item->token + 1, 1, &rows, &count, arena, err);
    *there = *lost = false;
    if (code != PAWL_OK || count == 0 || rows[0].sequence != item->token + 1)
        return code; /* not there: its guarded write is tried again */
    *there = rows[0].epoch == item->epoch && rows[0].nonce == item->nonce;
    *lost = !*there;
    return code;
}

/* After an unknown outcome and a reopen: hands back what is decided; leaves what is certainly not
 * committed. */
static pawl_code look_for_all(pw_committer *c, bool drop_commands, const pawl_error *cause,
                              pawl_error *err)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_code code = PAWL_OK;
    for (size_t i = 0; i < c->count && code == PAWL_OK; i++) {
        bool there, lost;
        pw_arena_reset(&arena);
        code = look(c, &c->batch[i]->item, &arena, &there, &lost, err);
        if (code != PAWL_OK)
            break;
        if (there)
            hand_back(c, i, PAWL_OK, NULL);
        else if (lost)
            hand_back(c, i, PAWL_CONFLICT, cause);
        else if (drop_commands && c->batch[i]->from_command)
            hand_back(c, i, cause->code, cause);
    }
    compact(c);
    pw_arena_done(&arena);
    return code;
}

static void tell(pw_committer *c, pawl_code code, const pawl_error *err)
{
    if (c->told == (code != PAWL_OK))
        return;
    c->told = code != PAWL_OK;
    c->hooks.on_health(c->hooks.context, code, err);
}

/* Sleeps; true: the engine is closing. */
static bool pause_for(pw_committer *c, uint64_t ms)
{
    uint64_t deadline = pw_monotonic_ns() + ms * 1000000u;
    (void)pthread_mutex_lock(&c->lock);
    while (!c->closing && pw_condition_wait(&c->filled, &c->lock, deadline))
        ;
    bool closing = c->closing;
    (void)pthread_mutex_unlock(&c->lock);
    return closing;
}

/* A full disk is not tried again and again: the batch waits until there is room. */
static bool has_room(const pw_committer *c, const pawl_error *err)
{
    return err->reason != PAWL_REASON_DISK_LOW || !c->hooks.has_room || c->hooks.has_room(c->hooks.context);
}

/* Until every item of the batch has been handed back. */
static void recover(pw_committer *c, pawl_error *err)
{
    pawl_code code = err->code;
    for (unsigned failures = 1; code != PAWL_OK; failures++) {
        if (failures >= 2 && code != PAWL_NO_MEMORY)
            tell(c, code, err);
        bool closing = pause_for(c, failures == 1 ? FIRST_WAIT_MS : NEXT_WAIT_MS);
        if (closing && failures >= 2) { /* the next open finds what was committed */
            hand_back_all(c, code, err);
            return;
        }
        if (!has_room(c, err))
            continue;
        pawl_error cause = *err;
        code = pw_store_reopen(c->store, err);
        if (code == PAWL_OK)
            code = look_for_all(c, failures >= 2, &cause, err);
        if (code == PAWL_OK)
            code = try_commit(c, err);
        if (code != PAWL_OK && err->code != code)
            (void)pw_fail(err, code, "the store fails");
    }
    tell(c, PAWL_OK, NULL);
}

bool pw_committer_work(pw_committer *c, bool wait)
{
    (void)pthread_mutex_lock(&c->lock);
    while (wait && !c->first && !c->stop && !c->suspect)
        (void)pw_condition_wait(&c->filled, &c->lock, UINT64_MAX);
    c->count = 0;
    while (c->first && c->count < PW_BATCH_MAX) {
        c->batch[c->count++] = c->first;
        c->first = c->first->next;
    }
    if (!c->first)
        c->last = &c->first;
    bool suspect = c->suspect;
    pawl_error err = c->suspicion;
    c->suspect = false;
    (void)pthread_mutex_unlock(&c->lock);
    if (c->count == 0 && !suspect)
        return false;
    for (size_t i = 0; i < c->count; i++)
        if (atomic_load(&c->batch[i]->given_up)) {
            pawl_error gone;
            (void)pw_fail(&gone, PAWL_IO, "the store failed before this was committed");
            hand_back(c, i, PAWL_IO, &gone);
        }
    compact(c);
    pawl_code code = suspect ? err.code : try_commit(c, &err);
    if (suspect || code == PAWL_IO)
        recover(c, &err);
    else if (code != PAWL_OK)
        hand_back_all(c, code, &err); /* nothing was written */
    return true;
}
