/* shard.c - what comes in goes to its instance; afterwards the instance is settled: it decides what
 * it can, its waiters are looked at, and it stays in memory, or does not.
 *
 * In memory stays what has something in flight, queued, uncommitted or watched, and the last few
 * thousand idle ones. A timer within the window stays in the heap without its instance.
 *
 * A partition that is given back, fenced or no more certain is dropped: who waits is told, what is
 * in flight is not waited for, and nothing new is decided. What is uncommitted comes back and goes
 * the same way; only then the partition's notice is answered, so that under one epoch nothing of
 * before is left. */
#include "engine/engine.h"

enum { LOOK_AGAIN_MS = 10000 }; /* the clock may be set forward, and the machine may have slept */

pw_mailbox *pw_shard_mailbox(pw_shard *shard)
{
    return &shard->mailbox;
}

/* ------------------------------------------------------------------ idle ones */

static void unlink_idle(pw_shard *shard, pw_live *live)
{
    if (!live->idle)
        return;
    if (live->newer)
        live->newer->older = live->older;
    else
        shard->newest = live->older;
    if (live->older)
        live->older->newer = live->newer;
    else
        shard->oldest = live->newer;
    live->newer = live->older = NULL;
    live->idle = false;
    shard->idle_count--;
}

static void drop_live(pw_shard *shard, pw_live *live)
{
    pw_slot *slot = live->slot;
    unlink_idle(shard, live);
    if (live->trouble.code != PAWL_OK)
        pw_engine_set_trouble(shard->engine, pw_live_id(live), &(pawl_error){ .code = PAWL_OK });
    int64_t due = live->state ? live->timer_at : PW_WAKE_NEVER;
    if (due > atomic_load(&shard->engine->horizon_ms))
        due = PW_WAKE_NEVER; /* its window reads it from the store */
    pw_slot_set_live(slot, NULL);
    pw_live_free(live);
    pw_slot_timer(shard, slot, due);
    pw_slot_drop(shard, slot);
}

static void make_idle(pw_shard *shard, pw_live *live)
{
    unlink_idle(shard, live);
    live->older = shard->newest;
    if (shard->newest)
        shard->newest->newer = live;
    else
        shard->oldest = live;
    shard->newest = live;
    live->idle = true;
    shard->idle_count++;
}

/* Not within settle(): whoever settles one instance may hold another. */
static void trim_idle(pw_shard *shard)
{
    while (shard->idle_count > PW_LIVE_IDLE_MAX)
        drop_live(shard, shard->oldest);
}

/* ------------------------------------------------------------------ waiters */

static bool reached(pw_shard *shard, const pw_live *live, const pw_watch *watch)
{
    bool ended = pw_status_ended(live->status);
    switch (watch->kind) {
    case PW_WATCH_END:
        return ended;
    case PW_WATCH_SETTLED:
        return ended || live->status == PW_SUSPENDED ||
               (!live->busy && (!live->state || !pw_state_moves(live->state)));
    case PW_WATCH_IDLE:
        return ended || live->status == PW_SUSPENDED ||
               (!live->busy && !pw_engine_due(shard->engine, live->timer_at));
    case PW_WATCH_QUIET:
        return ended || !live->busy;
    case PW_WATCH_LOADED:
        return pw_disk_is_full(shard->engine) || /* it goes on when there is room */
               (!live->check_calls && !live->check_work && (!live->committing || live->token > watch->token));
    }
    return false;
}

bool pw_shard_sure(pw_shard *shard, const pw_live *live)
{
    return pw_shard_sure_of(shard, live->slot->partition);
}

bool pw_shard_sure_of(pw_shard *shard, uint32_t n)
{
    bool sure = pw_leases_sure(shard->engine->leases, n, shard->epochs[n]);
    if (!sure)
        shard->doubted |= UINT64_C(1) << n;
    return sure;
}

pawl_code pw_shard_not_ours(pw_shard *shard, pw_str instance, pawl_error *err)
{
    uint32_t n = pw_store_partition(instance);
    pw_str node = { "", 0 };
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_code code = pw_store_partition_node(shard->engine->store, n, &node, &arena, NULL);
    if (code == PAWL_OK && node.len && !pw_str_is(node, pw_leases_node(shard->engine->leases)))
        code = pw_fail(err, PAWL_BUSY,
                       "instance " PW_FMT " is of partition %u, which is node '" PW_FMT
                       "'s: send it there",
                       PW_ARG(instance), n, PW_ARG(node));
    else
        code = pw_fail(err, PAWL_BUSY,
                       "instance " PW_FMT " is of partition %u, which this node does not have for "
                       "now: try again",
                       PW_ARG(instance), n);
    pw_arena_done(&arena);
    return code;
}

static void tell_watch(pw_watch *watch, pawl_code code, const pawl_error *err)
{
    watch->live = NULL;
    watch->code = code;
    if (code != PAWL_OK && err)
        watch->error = *err;
    pw_reply_give(&watch->reply);
}

static void tell_all(pw_live *live, const pawl_error *err)
{
    while (live->watches) {
        pw_watch *watch = live->watches;
        live->watches = watch->next;
        tell_watch(watch, err->code, err);
    }
}

static void look_at_watches(pw_shard *shard, pw_live *live)
{
    for (pw_watch **at = &live->watches; *at;) {
        pw_watch *watch = *at;
        pawl_code code = PAWL_TIMEOUT;
        if (live->state && !watch->seen) {
            watch->seen = true;
            watch->token = live->token;
        }
        if (live->state && reached(shard, live, watch))
            code = PAWL_OK;
        else if (live->trouble.code != PAWL_OK)
            code = live->trouble.code;
        else if (watch->kind == PW_WATCH_LOADED && live->retry_ns)
            code = PAWL_NO_MEMORY; /* closing waits for who waits for this: it must not need memory to end */
        else if (!watch->once) {
            at = &watch->next;
            continue;
        }
        *at = watch->next;
        pawl_error err = live->trouble;
        if (code == PAWL_NO_MEMORY && err.code == PAWL_OK)
            (void)pw_no_memory(&err);
        if (!pw_shard_sure(shard, live))
            code = pw_shard_not_ours(shard, watch->instance, &err);
        tell_watch(watch, code, &err);
    }
}

/* ------------------------------------------------------------------ settling */

static bool has_work(const pw_live *live)
{
    if (live->committing || live->flight_count > 0)
        return true;
    if (live->trouble.code != PAWL_OK)
        return false; /* it needs a person, although it tries again */
    return live->commands || live->calls || live->jobs || live->tickets || live->drive || live->plan ||
           live->check_calls || live->check_work || live->load || live->retry_ns || pw_hear_waits(live);
}

static void count_busy(pw_shard *shard, pw_live *live, bool busy)
{
    if (live->busy == busy)
        return;
    live->busy = busy;
    pw_engine_busy(shard->engine, busy);
}

static void answer_waiting(pw_live *live, const pawl_error *err)
{
    while (live->commands) {
        pw_command *command = live->commands;
        live->commands = command->next;
        pw_answer(command, err->code, err);
    }
    live->last_command = &live->commands;
    tell_all(live, err);
}

/* Whoever waits is told why not to, and what came is let go. */
static void empty_live(pw_shard *shard, pw_live *live, const pawl_error *err)
{
    answer_waiting(live, err);
    for (pw_http_call *call = live->calls, *next = NULL; call; call = next) {
        next = call->next;
        pw_http_call_free(call);
    }
    for (pw_job *job = live->jobs, *next = NULL; job; job = next) {
        next = job->next;
        pw_job_release(job);
    }
    while (live->tickets) {
        pw_ticket *ticket = live->tickets;
        live->tickets = ticket->next;
        pw_board_refuse(pw_jobs_board(shard->engine->jobs), ticket, PW_REFUSE_LATER);
    }
    live->calls = NULL;
    live->jobs = NULL;
    live->last_call = &live->calls;
    live->last_job = &live->jobs;
    live->last_ticket = &live->tickets;
    count_busy(shard, live, false);
}

static void close_live(pw_shard *shard, pw_live *live)
{
    pawl_error err;
    (void)pw_fail(&err, PAWL_BUSY, "closing");
    empty_live(shard, live, &err);
}

/* An instance of a partition that this shard has no more: gone, once nothing of it is uncommitted.
 */
static void discard(pw_shard *shard, pw_live *live)
{
    pawl_error err;
    if (live->commands || live->watches || live->watchers)
        (void)pw_shard_not_ours(shard, pw_live_id(live), &err);
    empty_live(shard, live, &err);
    pw_watchers_tell(live->slot, PAWL_BUSY, &err);
    pw_act_stop(shard, live);
    for (pw_live **at = &shard->retries; live->retry_ns && *at; at = &(*at)->retry_next)
        if (*at == live) {
            *at = live->retry_next;
            break;
        }
    live->retry_next = NULL;
    live->retry_ns = 0;
    live->timer_at = PW_WAKE_NEVER;
    pw_slot_timer(shard, live->slot, PW_WAKE_NEVER);
    if (!live->committing)
        drop_live(shard, live);
}

/* The same of one that is not in memory. */
static void discard_slot(pw_shard *shard, pw_slot *slot)
{
    pawl_error err;
    if (*pw_slot_watchers(slot))
        pw_watchers_tell(slot, pw_shard_not_ours(shard, (pw_str){ slot->id, PW_ID_LENGTH }, &err), &err);
    pw_slot_timer(shard, slot, PW_WAKE_NEVER);
    pw_slot_drop(shard, slot);
}

/* After anything that has to do with the instance. It may be gone afterwards. */
static void settle(pw_shard *shard, pw_live *live)
{
    if (!shard->epochs[live->slot->partition]) {
        discard(shard, live);
        return;
    }
    pw_decide(shard, live);
    bool waits = live->state && !live->committing && live->retry_ns == 0 && !pw_decide_holds(shard, live);
    pw_slot_timer(shard, live->slot, waits ? live->timer_at : PW_WAKE_NEVER);
    count_busy(shard, live, has_work(live));
    bool watched = live->watches || live->watchers;
    if (watched && !live->state && !live->committing && live->retry_ns == 0) {
        pawl_error err = { .code = PAWL_OK };
        if (!live->gone) /* what was waited for has been long ago */
            (void)pw_fail_reason(&err, PAWL_NOT_FOUND, PAWL_REASON_NO_INSTANCE, "there is no instance " PW_FMT,
                                 PW_ARG(pw_live_id(live)));
        if (!pw_shard_sure(shard, live))
            (void)pw_shard_not_ours(shard, pw_live_id(live), &err);
        tell_all(live, &err);
        pw_watchers_tell(live->slot, err.code, &err);
    }
    look_at_watches(shard, live);
    if (live->watchers && live->state)
        pw_watchers_look(shard, live->slot);
    if (has_work(live) || live->watches || live->retry_ns)
        unlink_idle(shard, live);
    else if (!live->state || pw_status_ended(live->status))
        drop_live(shard, live);
    else
        make_idle(shard, live);
}

/* The instance in memory, made if it is not there; NULL: out of memory. */
static pw_live *live_of(pw_shard *shard, pw_str id)
{
    pw_slot *slot = pw_slot_get(shard, id);
    if (slot && !slot->loaded) {
        pw_live *live = pw_live_new(slot);
        if (!live) {
            pw_slot_drop(shard, slot);
            return NULL;
        }
        pw_slot_set_live(slot, live);
    }
    return slot ? pw_slot_live(slot) : NULL;
}

/* ------------------------------------------------------------------ partitions */

void pw_shard_own(pw_shard *shard, uint32_t n, uint64_t epoch)
{
    uint64_t bit = UINT64_C(1) << n;
    shard->epochs[n] = epoch;
    shard->owned = epoch ? shard->owned | bit : shard->owned & ~bit;
    atomic_fetch_and(&shard->engine->routed, ~bit);
    shard->doubted &= ~bit; /* that was of the epoch before */
}

/* A notice is answered once nothing of before is left. */
static void answer_notice(pw_shard *shard, uint32_t n)
{
    pw_lease_notice *notice = shard->notices[n];
    if (!notice || shard->uncommitted_of[n] > 0)
        return;
    shard->notices[n] = NULL;
    pw_shard_own(shard, n, notice->epoch);
    pw_leases_answer(shard->engine->leases, notice);
}

/* Partitions of the mask are not ours any more. */
static void drop_partitions(pw_shard *shard, uint64_t mask)
{
    mask &= shard->owned;
    for (uint32_t n = 0; n < PW_PARTITIONS; n++)
        if (mask >> n & 1)
            pw_shard_own(shard, n, 0);
    pw_tries_drop(shard, mask);
    if (mask)
        pw_board_drop(pw_jobs_board(shard->engine->jobs), mask); /* the new owner has them unsure */
    for (size_t i = 0; mask && i < shard->bucket_count; i++)
        for (pw_slot *slot = shard->buckets[i], *next = NULL; slot; slot = next) {
            next = slot->next;
            if (!(mask >> slot->partition & 1))
                continue;
            if (slot->loaded)
                discard(shard, pw_slot_live(slot));
            else
                discard_slot(shard, slot);
        }
}

/* The same, noticed here: the leases ask whose they are now. */
static void drop_lost(pw_shard *shard, uint64_t mask)
{
    uint64_t epochs[PW_PARTITIONS];
    mask &= shard->owned;
    if (!mask)
        return;
    memcpy(epochs, shard->epochs, sizeof epochs);
    drop_partitions(shard, mask);
    for (uint32_t n = 0; n < PW_PARTITIONS; n++)
        if (mask >> n & 1)
            pw_leases_dropped(shard->engine->leases, n, epochs[n]);
}

static void on_lease(pw_shard *shard, pw_lease_notice *notice)
{
    drop_partitions(shard, UINT64_C(1) << notice->partition);
    shard->notices[notice->partition] = notice;
    answer_notice(shard, notice->partition);
}

/* No beat has succeeded for a whole lease, or an answer was held back for doubt. */
static void drop_doubted(pw_shard *shard)
{
    if (shard->owned && pw_monotonic_ns() >= pw_leases_end_ns(shard->engine->leases))
        shard->doubted = shard->owned;
    drop_lost(shard, shard->doubted);
    shard->doubted = 0;
}

/* ------------------------------------------------------------------ messages */

bool pw_shard_turned_away(pw_shard *shard, pw_str instance, pawl_error *err)
{
    if (shard->closing) {
        (void)pw_fail(err, PAWL_BUSY, "closing");
        return true;
    }
    if (!shard->epochs[pw_store_partition(instance)]) {
        (void)pw_shard_not_ours(shard, instance, err);
        return true;
    }
    return pw_engine_degraded(shard->engine, err);
}

/* Another letter of this row is being dealt with. */
static bool is_there(const pw_live *live, const pw_letter *letter)
{
    for (const pw_command *c = live->commands; c; c = c->next)
        if (c->letter && pw_str_eq(c->letter->row.key, letter->row.key))
            return true;
    const pw_inbox_use *use = &live->commit.item.inbox;
    return live->committing && use->stored && pw_str_eq(use->key, letter->row.key);
}

/* False: it was answered. */
static bool read_letter(pw_live *live, pw_command *command)
{
    pawl_error err = { .code = PAWL_OK };
    pawl_code code = PAWL_OK;
    if (is_there(live, command->letter))
        code = pw_fail(&err, PAWL_BUSY, "it is on its way already");
    else
        code = pw_letter_read(command->letter, &err);
    if (code == PAWL_OK)
        return true;
    pw_answer(command, code, &err);
    return false;
}

void pw_shard_command(pw_shard *shard, pw_command *command)
{
    pawl_error err = { .code = PAWL_OK };
    pw_tries_begin(shard, command);
    if (pw_shard_turned_away(shard, command->instance, &err) ||
        pw_disk_allows(shard->engine, false, &err) != PAWL_OK) {
        pw_command_failed(shard, command, &err);
        return;
    }
    if (pw_shard_commits(shard, command)) { /* for so long already */
        err = command->error;
        pw_command_failed(shard, command, &err);
        return;
    }
    pw_live *live = live_of(shard, command->instance);
    if (!live) {
        (void)pw_no_memory(&err);
        pw_command_failed(shard, command, &err);
        return;
    }
    if (command->letter && !read_letter(live, command)) {
        settle(shard, live); /* it may have been made for nothing */
        return;
    }
    command->next = NULL;
    *live->last_command = command;
    live->last_command = &command->next;
    settle(shard, live);
}

static pw_live *live_with(const pw_shard *shard, pw_str id)
{
    pw_slot *slot = pw_slot_find(shard, id);
    return slot ? pw_slot_live(slot) : NULL;
}

bool pw_shard_commits(const pw_shard *shard, const pw_command *command)
{
    const pw_live *live = live_with(shard, command->instance);
    return live && live->committing && live->commit.command == command;
}

bool pw_shard_withdraw(pw_shard *shard, pw_command *command)
{
    pw_live *live = live_with(shard, command->instance);
    if (pw_shard_commits(shard, command)) {
        atomic_store(&live->commit.given_up, true);
        live->commit.command = NULL;
        return true;
    }
    pw_command **at = live ? &live->commands : NULL;
    while (at && *at && *at != command)
        at = &(*at)->next;
    if (at && *at) {
        *at = command->next;
        if (!*at)
            live->last_command = at;
    }
    return false;
}

static void on_watch(pw_shard *shard, pw_watch *watch)
{
    pawl_error err = { .code = PAWL_OK };
    if (pw_shard_turned_away(shard, watch->instance, &err)) {
        tell_watch(watch, err.code, &err);
        return;
    }
    pw_live *live = live_of(shard, watch->instance);
    if (!live) {
        (void)pw_no_memory(&err);
        tell_watch(watch, err.code, &err);
        return;
    }
    live->load = live->load || (!live->state && !live->committing);
    if (watch->kind == PW_WATCH_LOADED && live->state && live->wants_function)
        live->check_work = true;
    watch->live = live;
    watch->next = live->watches;
    live->watches = watch;
    settle(shard, live);
}

static void on_unwatch(pw_shard *shard, pw_watch *watch)
{
    pw_live *live = watch->live;
    if (!live) { /* it was answered before, which its owner did not know yet */
        pw_reply_give(&watch->withdrawn);
        return;
    }
    pw_watch **at = &live->watches;
    while (*at != watch)
        at = &(*at)->next;
    *at = watch->next;
    pawl_error err;
    (void)pw_fail(&err, PAWL_TIMEOUT, "not yet");
    if (!pw_shard_sure(shard, live))
        (void)pw_shard_not_ours(shard, watch->instance, &err);
    tell_watch(watch, err.code, &err);
    pw_reply_give(&watch->withdrawn); /* the owner waits for this one: the last use of the watch */
    settle(shard, live);
}

static void on_sleepers(pw_shard *shard, pw_sleepers *sleepers)
{
    sleepers->code = PAWL_OK;
    for (size_t i = 0; i < sleepers->count && !shard->closing; i++) {
        const pw_due *due = &sleepers->items[i];
        if (due->id.len != PW_ID_LENGTH || !shard->epochs[pw_store_partition(due->id)])
            continue; /* of another shard, or of another node by now */
        pw_slot *slot = pw_slot_get(shard, due->id);
        if (!slot)
            sleepers->code = PAWL_NO_MEMORY;
        else if (!slot->loaded)
            pw_slot_timer(shard, slot, due->wake_at);
    }
    pw_reply_give(&sleepers->reply);
}

/* Of an errand that has come back, or of deliveries. Who has no memory for it finds it by the
 * recovery. */
static void on_errand(pw_shard *shard, pw_errand *errand)
{
    bool kept = false;
    bool served = !shard->closing && shard->epochs[pw_store_partition(errand->instance)] &&
                  errand->instance.len == PW_ID_LENGTH;
    pw_live *live = served ? live_of(shard, errand->instance) : NULL;
    pw_reply *reply = errand->reply;
    if (live) {
        kept = pw_hear_returned(shard, live, errand);
        live->load = live->load || (!live->state && !live->committing);
        settle(shard, live);
    }
    if (reply)
        pw_reply_give(reply);
    else if (!kept)
        pw_errand_free(errand);
    pw_engine_busy(shard->engine, false);
}

/* Switched off; or there is no room to write down that they have fired. */
static bool timers_stand(const pw_shard *shard)
{
    return pw_engine_timers_off(shard->engine) || pw_disk_is_full(shard->engine);
}

/* So many of a backlog are under way at once: what is decided for others is committed between them. */
static bool may_wake(const pw_shard *shard)
{
    return shard->waking < PW_WAKING_MAX;
}

/* The oldest first. True: some have to wait; they have their turn when commits come back. One that could not be decided (the
 * lease is over, the clock went back) is due again at once, and must not be looked at for ever. */
static bool fire_timers(pw_shard *shard)
{
    const int64_t now = pw_engine_now(shard->engine);
    size_t left = timers_stand(shard) || shard->closing ? 0 : shard->heap_count;
    for (; left > 0; left--) {
        if (!may_wake(shard))
            return shard->heap_count > 0 && shard->heap[0]->due <= now;
        pw_slot *slot = pw_slot_due(shard, now);
        if (!slot)
            return false;
        pw_live *live = live_of(shard, (pw_str){ slot->id, PW_ID_LENGTH });
        if (!live) { /* the recovery reads overdue rows again and again */
            pw_slot_drop(shard, slot);
            return false;
        }
        live->load = live->load || (!live->state && !live->committing);
        settle(shard, live);
        trim_idle(shard);
    }
    return false;
}

/* Calls `each` for every instance in memory. It may drop it. */
static void for_each_live(pw_shard *shard, void (*each)(pw_shard *shard, pw_live *live))
{
    for (size_t i = 0; i < shard->bucket_count; i++)
        for (pw_slot *slot = shard->buckets[i], *next = NULL; slot; slot = next) {
            next = slot->next;
            if (slot->loaded)
                each(shard, pw_slot_live(slot));
        }
}

static void on_registered(pw_shard *shard, pw_live *live)
{
    if (!live->wants_function)
        return;
    live->check_work = true;
    settle(shard, live);
}

static void on_deleted(pw_shard *shard, pw_deleted *deleted)
{
    pw_slot *slot = pw_slot_find(shard, deleted->instance);
    pawl_error err;
    if (slot && *pw_slot_watchers(slot))
        pw_watchers_tell(slot, pw_fail_reason(&err, PAWL_NOT_FOUND, PAWL_REASON_NO_INSTANCE,
                                              "the instance " PW_FMT " was deleted", PW_ARG(deleted->instance)),
                         &err);
    if (slot)
        pw_slot_drop(shard, slot);
    pw_reply_give(&deleted->reply);
}

static void on_message(pw_shard *shard, pw_message *message)
{
    switch (message->kind) {
    case PW_MESSAGE_COMMAND:
        pw_shard_command(shard, (pw_command *)(void *)message);
        return;
    case PW_MESSAGE_WATCH:
        on_watch(shard, (pw_watch *)(void *)message);
        return;
    case PW_MESSAGE_UNWATCH:
        on_unwatch(shard, (pw_watch *)(void *)((char *)message - offsetof(pw_watch, cancel)));
        return;
    case PW_MESSAGE_WATCHER:
        pw_watcher_arrives(shard, message);
        return;
    case PW_MESSAGE_UNWATCHER:
        pw_watcher_leaves(shard, message);
        return;
    case PW_MESSAGE_DELETED:
        on_deleted(shard, (pw_deleted *)(void *)message);
        return;
    case PW_MESSAGE_SLEEPERS:
        on_sleepers(shard, (pw_sleepers *)(void *)message);
        return;
    case PW_MESSAGE_LOOK:
        ((pw_notice *)(void *)message)->more = fire_timers(shard);
        pw_reply_give(&((pw_notice *)(void *)message)->reply);
        return;
    case PW_MESSAGE_REGISTERED:
        for_each_live(shard, on_registered);
        pw_reply_give(&((pw_notice *)(void *)message)->reply);
        return;
    case PW_MESSAGE_LEASE:
        on_lease(shard, (pw_lease_notice *)(void *)message);
        return;
    case PW_MESSAGE_ERRAND:
        on_errand(shard, (pw_errand *)(void *)message);
        return;
    }
}

/* ------------------------------------------------------------------ answers of the outside */

static void on_call(pw_shard *shard, pw_http_call *call)
{
    PW_FAULT("engine-result-received");
    pw_note_call(shard->engine, call);
    pw_live *live = live_with(shard, call->instance);
    pw_flight *flight = live ? pw_live_find_flight(live, call->visit, call->attempt) : NULL;
    if (shard->closing || call->cancelled || !shard->epochs[pw_store_partition(call->instance)]) {
        bool ended = flight && !call->cancelled; /* else the flight is a later one, after a loss */
        if (ended)
            pw_live_remove_flight(live, flight);
        pw_http_call_free(call); /* the next owner sends it again */
        if (ended)
            settle(shard, live);
        return;
    }
    if (!live)
        live = live_of(shard, call->instance);
    if (!live) { /* nobody waits for it any more: only a line of the log is lost */
        pw_http_call_free(call);
        return;
    }
    call->next = NULL;
    *live->last_call = call;
    live->last_call = &call->next;
    settle(shard, live);
}

static void on_job(pw_shard *shard, pw_job *job)
{
    PW_FAULT("engine-result-received");
    pw_live *live = live_with(shard, job->instance);
    pw_flight *flight = live ? pw_live_find_flight(live, job->visit, job->attempt) : NULL;
    if (shard->closing || job->end == PW_JOB_CANCELLED || !flight) {
        if (flight)
            pw_live_remove_flight(live, flight);
        pw_job_release(job);
        if (flight)
            settle(shard, live);
        return;
    }
    job->next = NULL;
    *live->last_job = job;
    live->last_job = &job->next;
    settle(shard, live);
}

/* The board wants something. Who has no memory for it is asked again. */
static void on_ticket(pw_shard *shard, pw_ticket *ticket)
{
    const pw_str id = { ticket->instance, sizeof ticket->instance };
    bool served = !shard->closing && shard->epochs[ticket->table];
    pw_live *live = served ? live_of(shard, id) : NULL;
    if (!live) {
        pw_board_refuse(pw_jobs_board(shard->engine->jobs), ticket, PW_REFUSE_LATER);
        return;
    }
    ticket->next = NULL;
    *live->last_ticket = ticket;
    live->last_ticket = &ticket->next;
    live->load = live->load || (!live->state && !live->committing);
    settle(shard, live);
}

/* ------------------------------------------------------------------ signals */

/* The store fails: nobody waits for an instance, and commands are tried later. */
static void degrade_live(pw_shard *shard, pw_live *live)
{
    pawl_error err = { .code = PAWL_OK };
    if (!pw_engine_degraded(shard->engine, &err))
        return; /* it works again already */
    while (live->commands) {
        pw_command *command = live->commands;
        live->commands = command->next;
        pw_command_failed(shard, command, &err);
    }
    live->last_command = &live->commands;
    if (live->committing && live->commit.command)
        pw_command_failed(shard, live->commit.command, &err);
    tell_all(live, &err);
    if (!live->committing)
        settle(shard, live);
}

/* Less room: who waits for his command is told. More: it goes on. */
static void space_changed(pw_shard *shard, pw_live *live)
{
    pawl_error err;
    while (live->commands && pw_disk_allows(shard->engine, false, &err) != PAWL_OK) {
        pw_command *command = live->commands;
        live->commands = command->next;
        if (!live->commands)
            live->last_command = &live->commands;
        pw_command_failed(shard, command, &err);
    }
    if (!live->committing)
        settle(shard, live);
}

/* Who is to be called back hears why that will not be. */
static void tell_watchers(pw_shard *shard, const pawl_error *err)
{
    for (size_t i = 0; i < shard->bucket_count; i++)
        for (pw_slot *slot = shard->buckets[i], *next = NULL; slot; slot = next) {
            next = slot->next;
            pw_watchers_tell(slot, err->code, err);
            pw_slot_drop(shard, slot);
        }
}

static void on_signals(pw_shard *shard, unsigned signals)
{
    pawl_error err = { .code = PAWL_OK };
    if (signals & PW_SIGNAL_CLOSE) {
        shard->closing = true;
        for_each_live(shard, close_live);
        pw_tries_close(shard);
        (void)pw_fail(&err, PAWL_BUSY, "closing");
        tell_watchers(shard, &err);
    }
    if (signals & PW_SIGNAL_DEGRADED) {
        for_each_live(shard, degrade_live);
        if (pw_engine_degraded(shard->engine, &err))
            tell_watchers(shard, &err);
    }
    if (signals & PW_SIGNAL_DISK)
        for_each_live(shard, space_changed);
}

static void try_again(pw_shard *shard)
{
    uint64_t now = pw_monotonic_ns();
    pw_live *due = NULL;
    for (pw_live **at = &shard->retries; *at;) {
        pw_live *live = *at;
        if (live->retry_ns > now) {
            at = &live->retry_next;
            continue;
        }
        *at = live->retry_next;
        live->retry_next = due;
        due = live;
    }
    while (due) { /* a settled one may be gone */
        pw_live *live = due;
        due = live->retry_next;
        live->retry_next = NULL;
        live->retry_ns = 0;
        settle(shard, live);
    }
}

/* ------------------------------------------------------------------ the shard */

void pw_shard_handle(pw_shard *shard, pw_mail *mail)
{
    drop_doubted(shard);
    for (pw_commit *commit = mail->commits, *next = NULL; commit; commit = next) {
        next = commit->next;
        pw_live *live = commit->live;
        uint32_t partition = live->slot->partition;
        if (commit->item.fenced)
            drop_lost(shard, UINT64_C(1) << partition);
        pw_decided(shard, commit);
        settle(shard, live);
        answer_notice(shard, partition);
    }
    for (pw_message *message = mail->messages, *next = NULL; message; message = next) {
        next = message->next;
        on_message(shard, message);
    }
    for (pw_http_call *call = mail->calls, *next = NULL; call; call = next) {
        next = call->next;
        on_call(shard, call);
    }
    for (pw_job *job = mail->jobs, *next = NULL; job; job = next) {
        next = job->next;
        on_job(shard, job);
    }
    for (pw_ticket *ticket = mail->tickets, *next = NULL; ticket; ticket = next) {
        next = ticket->next;
        on_ticket(shard, ticket);
    }
    on_signals(shard, mail->signals);
    (void)fire_timers(shard);
    if (!shard->closing)
        try_again(shard);
    pw_tries_work(shard);
    trim_idle(shard);
    drop_doubted(shard);
}

uint64_t pw_shard_next_ns(const pw_shard *shard)
{
    uint64_t next = UINT64_MAX;
    for (const pw_live *live = shard->retries; live; live = live->retry_next)
        if (live->retry_ns < next)
            next = live->retry_ns;
    uint64_t tries = pw_tries_next_ns(shard);
    next = tries < next ? tries : next;
    uint64_t end = shard->owned ? pw_leases_end_ns(shard->engine->leases) : UINT64_MAX;
    next = end < next ? end : next;
    if (shard->heap_count == 0 || !may_wake(shard) || timers_stand(shard))
        return next; /* what is uncommitted comes back, and who stops timers tells */
    int64_t wait = shard->heap[0]->due - pw_engine_now(shard->engine);
    wait = wait < 1 ? 1 : wait > LOOK_AGAIN_MS ? LOOK_AGAIN_MS : wait;
    uint64_t timer = pw_monotonic_ns() + (uint64_t)wait * 1000000u;
    return timer < next ? timer : next;
}

bool pw_shard_ended(const pw_shard *shard)
{
    return shard->closing && shard->uncommitted == 0;
}

pawl_code pw_shard_new(pw_shard **out, pawl *engine, uint32_t number, uint64_t seed,
                       const pw_expr_limits *limits, pawl_error *err)
{
    pw_shard *shard = pw_zalloc(sizeof *shard);
    if (!shard)
        return pw_no_memory(err);
    shard->engine = engine;
    shard->number = number;
    shard->seed = seed;
    pawl_code code = pw_mailbox_init(&shard->mailbox, err);
    if (code != PAWL_OK) {
        pw_free(shard);
        return code;
    }
    shard->machine = pw_expr_machine_new(limits);
    if (!shard->machine) {
        pw_shard_free(shard);
        return pw_no_memory(err);
    }
    *out = shard;
    return PAWL_OK;
}

void pw_shard_free(pw_shard *shard)
{
    if (!shard)
        return;
    PW_ASSERT(shard->uncommitted == 0);
    shard->closing = true;
    pw_mail mail;
    pw_mailbox_take(&shard->mailbox, &mail, 0);
    pw_shard_handle(shard, &mail); /* answers and results that came last */
    for (size_t i = 0; i < shard->bucket_count; i++)
        for (pw_slot *slot = shard->buckets[i], *next = NULL; slot; slot = next) {
            next = slot->next;
            PW_ASSERT(!*pw_slot_watchers(slot)); /* told when it began to close, and turned away since */
            if (slot->loaded) {
                close_live(shard, pw_slot_live(slot));
                pw_live_free(pw_slot_live(slot));
            }
            pw_free(slot);
        }
    pw_free(shard->buckets);
    pw_free(shard->heap);
    pw_expr_machine_free(shard->machine);
    pw_mailbox_done(&shard->mailbox);
    pw_free(shard);
}
