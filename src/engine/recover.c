/* recover.c - rounds, by one thread of its own that may wait for the store.
 *
 *  1. Everything with wake_at <= now, page by page, the oldest first: each instance is loaded by its shard, which
 * sends its calls again, finds its lost attempts, and takes the step that is due. A page is committed before the next is read:
 * a backlog never stands between the committer and what is new, and a million instances are never all in memory at once unless
 * they have something in flight. At open, and when a function was registered.
 *  2. Overdue timers, of which none should be: every CheckInterval, and when the clock was set forward or the machine has slept.
 *  3. Timers of the window that begins where the last one ended, or now if that is later. The horizon is raised before the
 * rows are read: a timer that is committed meanwhile is either read, or kept by its shard because
 * it is below the horizon.
 *  4. Inbox rows that no step has consumed: each becomes a command. At open and every
 * CheckInterval.
 *  5. Messages that are NEW and nobody routes, subscriptions for which something is kept, and
 * deliveries that wait. Before an instance of a partition may look at its deliveries, what was NEW
 * when the partition was taken is routed, so that nothing overtakes it. At every CheckInterval again,
 * but for the subscriptions; and messages that have expired are deleted, as are answers that nobody will
 * ask for again.
 *  6. Schedules: each definition that has one has one that lives. At open, and when one could not be
 * started; with other nodes every CheckInterval.
 *
 * Where timers are switched off, 2 and 3 are left out, and 1 is done for what is in flight only.
 *
 * All of it for the partitions that this node has. When it has gained some, the same is done for
 * these alone, with the window as it is. */
#include <stdlib.h>
#include "engine/engine.h"
#include "engine/clock.h"
#include "base/json.h"

enum {
    PAGE = 256,
    WINDOW_PAGE = 1000, /* timers read at once into the window: nothing is woken by that */
    EXPIRE_PAGE = 1000, /* messages deleted in one transaction */
    EXPIRE_MAX = 20000, /* ... in one round: the next goes on */
    RETRY_NS = 1000000000,
};

/* Behind every id: pages that begin with it leave out rows of that very instant. */
#define BEHIND PW_LIT("~")

struct pw_recovery {
    pawl *engine;
    pthread_mutex_t lock; /* of what follows, up to the next blank line */
    pthread_cond_t changed;
    bool stop, again, woken, inbox, check;
    pw_letter *returns, **last_return; /* to be taken out of the inbox */
    uint64_t gained;                   /* partitions that are ours and were not looked at yet */
    bool fresh;                        /* some since the last round */
    bool whole;                        /* the last round could look at everything */
    uint64_t rounds_begun, rounds_ended, rounds_wanted;

    /* the thread's own */
    bool recovered;    /* everything in flight was looked at */
    bool started;      /* the first window is read */
    bool hearing;      /* messages that others left were routed */
    uint64_t check_ns; /* when to look at the inbox and at overdue rows next */
    pw_clock clock;
    uint64_t fired;    /* timers, as of the last time that the service was told */
    pawl_error failure; /* of this round: why timers could not be looked at */
    pw_watch watches[PAGE];
    pw_errand notices[PAGE];
    pw_reply replies[PAGE];
    pw_letter *letters[PAGE];
    pw_arena arena;
};

pawl_code pw_recovery_new(pw_recovery **out, pawl *p, pawl_error *err)
{
    pw_recovery *r = pw_zalloc(sizeof *r);
    if (!r)
        return pw_no_memory(err);
    r->engine = p;
    r->last_return = &r->returns;
    pw_arena_init(&r->arena, 0);
    int failed = pthread_mutex_init(&r->lock, NULL);
    pawl_code code =
        failed ? pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory") : PAWL_OK;
    if (code == PAWL_OK && (code = pw_condition_init(&r->changed, err)) != PAWL_OK)
        (void)pthread_mutex_destroy(&r->lock);
    if (code != PAWL_OK) {
        pw_free(r);
        return code;
    }
    *out = r;
    return PAWL_OK;
}

void pw_recovery_free(pw_recovery *r)
{
    if (!r)
        return;
    for (pw_letter *letter = r->returns, *next = NULL; letter; letter = next) {
        next = letter->next;
        pw_letter_free(letter);
    }
    pw_arena_done(&r->arena);
    pw_condition_done(&r->changed);
    (void)pthread_mutex_destroy(&r->lock);
    pw_free(r);
}

static void raise_flag(pw_recovery *r, bool *flag)
{
    (void)pthread_mutex_lock(&r->lock);
    *flag = true;
    pw_condition_wake(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

void pw_recovery_stop(pw_recovery *r)
{
    raise_flag(r, &r->stop);
}

void pw_recovery_wake(pw_recovery *r)
{
    raise_flag(r, &r->woken);
}

void pw_recovery_again(pw_recovery *r)
{
    raise_flag(r, &r->again);
}

void pw_recovery_check(pw_recovery *r)
{
    raise_flag(r, &r->check);
}

void pw_recovery_inbox(pw_recovery *r)
{
    raise_flag(r, &r->inbox);
}

void pw_recovery_return(pw_recovery *r, pw_letter *letter)
{
    letter->next = NULL;
    (void)pthread_mutex_lock(&r->lock);
    *r->last_return = letter;
    r->last_return = &letter->next;
    pw_condition_wake(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

void pw_recovery_gained(pw_recovery *r, uint64_t partitions)
{
    (void)pthread_mutex_lock(&r->lock);
    r->gained |= partitions;
    r->fresh = true;
    pw_condition_wake(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

pawl_code pw_recovery_round(pw_recovery *r, uint64_t deadline_ns, bool *whole, pawl_error *err)
{
    (void)pthread_mutex_lock(&r->lock);
    uint64_t wanted = r->rounds_begun + 1;
    if (r->rounds_wanted < wanted)
        r->rounds_wanted = wanted;
    pw_condition_wake(&r->changed);
    bool in_time = true;
    while (r->rounds_ended < wanted && !r->stop && in_time)
        in_time = pw_condition_wait(&r->changed, &r->lock, deadline_ns);
    bool ended = r->rounds_ended >= wanted, stop = r->stop;
    *whole = r->whole;
    (void)pthread_mutex_unlock(&r->lock);
    if (ended)
        return PAWL_OK;
    if (stop)
        return pw_fail(err, PAWL_BUSY, "closing");
    return pw_fail(err, PAWL_TIMEOUT, "the recovery of instances in flight goes on");
}

static bool stopping(pw_recovery *r)
{
    (void)pthread_mutex_lock(&r->lock);
    bool stop = r->stop;
    (void)pthread_mutex_unlock(&r->lock);
    return stop;
}

/* ------------------------------------------------------------------ instances in flight */

/* Has the shards load these; true: all of them. */
static bool load_page(pw_recovery *r, const pw_due *rows, size_t count)
{
    bool all = true;
    size_t sent = 0;
    for (; sent < count; sent++) {
        pw_watch *watch = &r->watches[sent];
        *watch = (pw_watch){ .message.kind = PW_MESSAGE_WATCH,
                             .cancel.kind = PW_MESSAGE_UNWATCH,
                             .instance = rows[sent].id,
                             .kind = PW_WATCH_LOADED };
        if (pw_reply_init(&watch->reply, NULL) != PAWL_OK) {
            all = false;
            break;
        }
        if (rows[sent].id.len != PW_ID_LENGTH) { /* not one of ours */
            watch->code = PAWL_OK;
            pw_reply_give(&watch->reply);
            continue;
        }
        pw_mailbox_message(&pw_engine_shard_of(r->engine, rows[sent].id)->mailbox, &watch->message);
    }
    for (size_t i = 0; i < sent; i++) {
        pw_watch *watch = &r->watches[i];
        (void)pw_reply_wait(&watch->reply, UINT64_MAX); /* closing answers too */
        pw_reply_done(&watch->reply);
        /* what is in trouble for itself is shown, and tried again by its shard */
        if (watch->code == PAWL_NO_MEMORY || watch->code == PAWL_IO || watch->code == PAWL_BUSY)
            all = false;
    }
    return all;
}

static pw_service *service_of(pw_recovery *r)
{
    return &r->engine->services[PW_SERVICE_TIMERS];
}

static void end_service_round(pw_recovery *r)
{
    const uint64_t fired = pw_histogram_count(&r->engine->lateness), before = r->fired;
    r->fired = fired;
    pw_service_end(service_of(r), pw_engine_now(r->engine), fired - before, 0, &r->failure);
}

/* A batch is a round of the service: so a long backlog is seen to get shorter. */
static void tell_backlog(pw_recovery *r, const pw_due *rows, size_t count)
{
    const bool timers = count > 0 && rows[count - 1].wake_at > 0;
    pw_service_backlog(service_of(r), timers ? count : 0, timers ? rows[count - 1].wake_at : -1);
    if (!timers)
        return;
    end_service_round(r);
    pw_service_begin(service_of(r), pw_engine_now(r->engine));
}

/* Rows from (after_ms, after_id) on that are due. False: not all could be looked at. */
static bool load_due(pw_recovery *r, uint64_t partitions, int64_t until_ms, int64_t after_ms,
                     pw_str after_id)
{
    char id[PW_ID_SIZE] = "";
    bool all = true;
    const uint32_t batch = r->engine->timer_batch * r->engine->shard_count;
    const uint32_t page = batch < PAGE ? batch : PAGE;
    if (pw_engine_timers_off(r->engine) && until_ms > 0)
        until_ms = 0; /* what is in flight */
    while (!stopping(r) && !pw_disk_is_full(r->engine)) {
        pw_due *rows = NULL;
        size_t count = 0;
        pw_arena_reset(&r->arena);
        if (pw_store_due(r->engine->store, partitions, until_ms, after_ms, after_id, page, &rows,
                         &count, &r->arena, &r->failure) != PAWL_OK)
            return false;
        tell_backlog(r, rows, count);
        all = load_page(r, rows, count) && all;
        if (count < page) {
            pw_service_backlog(service_of(r), 0, -1);
            return all;
        }
        const pw_due *last = &rows[count - 1];
        after_ms = last->wake_at;
        size_t length = last->id.len < sizeof id ? last->id.len : sizeof id;
        memcpy(id, last->id.ptr, length);
        after_id = (pw_str){ id, length };
    }
    return false;
}

/* ------------------------------------------------------------------ the window */

static bool send_sleepers(pw_recovery *r, const pw_due *rows, size_t count)
{
    for (uint32_t i = 0; i < r->engine->shard_count && count > 0; i++) {
        pw_sleepers sleepers = { .message.kind = PW_MESSAGE_SLEEPERS,
                                 .items = rows,
                                 .count = count };
        if (pw_reply_init(&sleepers.reply, NULL) != PAWL_OK)
            return false;
        pw_mailbox_message(&r->engine->shards[i]->mailbox, &sleepers.message);
        (void)pw_reply_wait(&sleepers.reply, UINT64_MAX);
        pw_reply_done(&sleepers.reply);
        if (sleepers.code != PAWL_OK)
            return false;
    }
    return true;
}

/* Timers in (from, until]. */
static bool read_window(pw_recovery *r, uint64_t partitions, int64_t from_ms, int64_t until_ms)
{
    char id[PW_ID_SIZE];
    pw_str after_id = BEHIND;
    int64_t after_ms = from_ms;
    while (!stopping(r)) {
        pw_due *rows = NULL;
        size_t count = 0;
        pw_arena_reset(&r->arena);
        if (pw_store_due(r->engine->store, partitions, until_ms, after_ms, after_id, WINDOW_PAGE,
                         &rows, &count, &r->arena, &r->failure) != PAWL_OK ||
            !send_sleepers(r, rows, count))
            return false;
        if (count < WINDOW_PAGE)
            return true;
        const pw_due *last = &rows[count - 1];
        after_ms = last->wake_at;
        size_t length = last->id.len < sizeof id ? last->id.len : sizeof id;
        memcpy(id, last->id.ptr, length);
        after_id = (pw_str){ id, length };
    }
    return false;
}

static bool move_window(pw_recovery *r, uint64_t partitions, int64_t now_ms)
{
    int64_t horizon = atomic_load(&r->engine->horizon_ms);
    if (pw_engine_timers_off(r->engine))
        return r->started = true; /* the horizon stays: nothing is kept in memory for its time */
    if (r->started && horizon - now_ms > PW_WINDOW_MS / 2)
        return true;
    int64_t until = now_ms + PW_WINDOW_MS;
    atomic_store(&r->engine->horizon_ms, until);
    if (read_window(r, partitions, r->started && horizon > now_ms ? horizon : now_ms, until)) {
        r->started = true;
        return true;
    }
    atomic_store(&r->engine->horizon_ms, horizon); /* the next round reads it again */
    return false;
}

/* ------------------------------------------------------------------ the inbox */

/* Letters to all of a page, which are waited for. False: not all could be sent. */
static bool send_page(pw_recovery *r, const pw_inbox_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pw_letter *letter = NULL;
        r->letters[i] = NULL;
        if (rows[i].target.len != PW_ID_LENGTH) /* not one of ours */
            continue;
        if (pw_letter_new(&letter, r->engine, &rows[i], true, NULL) != PAWL_OK)
            return false;
        if (pw_reply_init(&letter->command.reply, NULL) != PAWL_OK) {
            pw_letter_free(letter);
            return false;
        }
        r->letters[i] = letter;
        pw_letter_send(letter);
    }
    return true;
}

/* True: one at least was consumed or returned. *all: none failed for want of memory or of the
 * store, which is tried again soon. */
static bool wait_for_page(pw_recovery *r, size_t count, bool *all)
{
    bool forward = false;
    for (size_t i = 0; i < count; i++) {
        pw_letter *letter = r->letters[i];
        if (!letter)
            continue;
        (void)pw_reply_wait(&letter->command.reply, UINT64_MAX); /* closing answers too */
        pw_reply_done(&letter->command.reply);
        pawl_code code = letter->command.code;
        if (pw_letter_lost(letter))
            code = pw_letter_return(letter, NULL);
        forward = forward || code == PAWL_OK;
        *all = *all && code != PAWL_NO_MEMORY && code != PAWL_IO;
        pw_letter_free(letter);
    }
    return forward;
}

/* Until a page brings nothing forward: rows that could not be consumed are tried again at the next
 * check. False: they could not be read, or not all could be sent. */
static bool read_inbox(pw_recovery *r, uint64_t partitions)
{
    bool forward = true, all = true;
    atomic_store(&r->engine->post.left, false); /* what is left from now on is read again */
    while (forward && !stopping(r)) {
        pw_inbox_row *rows = NULL;
        size_t count = 0;
        pw_arena_reset(&r->arena);
        if (pw_store_inbox_pending(r->engine->store, partitions, PAGE, &rows, &count, &r->arena,
                                   NULL) != PAWL_OK)
            return false;
        memset(r->letters, 0, sizeof r->letters);
        all = send_page(r, rows, count);
        forward = wait_for_page(r, count, &all);
    }
    return all;
}

/* Letters that can have no effect. What cannot be returned now is read again. */
static void return_letters(pw_recovery *r)
{
    (void)pthread_mutex_lock(&r->lock);
    pw_letter *letter = r->returns;
    r->returns = NULL;
    r->last_return = &r->returns;
    (void)pthread_mutex_unlock(&r->lock);
    while (letter) {
        pw_letter *next = letter->next;
        if (pw_letter_return(letter, NULL) != PAWL_OK)
            pw_letter_left(r->engine);
        pw_letter_free(letter);
        pw_engine_busy(r->engine, false);
        letter = next;
    }
}

/* ------------------------------------------------------------------ messages */

/* True: all of the page were told. */
static bool tell_page(pw_recovery *r, const pw_str *ids, size_t count)
{
    size_t sent = 0;
    for (; sent < count; sent++) {
        pw_errand *notice = &r->notices[sent];
        if (pw_reply_init(&r->replies[sent], NULL) != PAWL_OK)
            break;
        *notice = (pw_errand){ .message.kind = PW_MESSAGE_ERRAND,
                               .instance = ids[sent],
                               .reply = &r->replies[sent] };
        pw_engine_busy(r->engine, true);
        pw_mailbox_message(&pw_engine_shard_of(r->engine, ids[sent])->mailbox, &notice->message);
    }
    for (size_t i = 0; i < sent; i++) {
        (void)pw_reply_wait(&r->replies[i], UINT64_MAX);
        pw_reply_done(&r->replies[i]);
    }
    return sent == count;
}

/* Every instance with deliveries hears of them. */
static bool tell_pending(pw_recovery *r, uint64_t partitions)
{
    char id[PW_ID_SIZE] = "";
    pw_str after = { "", 0 };
    while (partitions && !stopping(r)) {
        pw_str *ids = NULL;
        size_t count = 0;
        pw_arena_reset(&r->arena);
        if (pw_store_deliveries_pending(r->engine->store, partitions, after, PAGE, &ids, &count,
                                        &r->arena, NULL) != PAWL_OK ||
            !tell_page(r, ids, count))
            return false;
        if (count < PAGE)
            return true;
        size_t length = ids[count - 1].len < sizeof id ? ids[count - 1].len : sizeof id;
        memcpy(id, ids[count - 1].ptr, length);
        after = (pw_str){ id, length };
    }
    return partitions == 0;
}

/* Partitions that were taken since: what is NEW first, then they may hear. */
static bool begin_hearing(pw_recovery *r, uint64_t held)
{
    uint64_t fresh = held & ~(uint64_t)atomic_load(&r->engine->routed);
    if (!fresh)
        return true;
    if (!pw_router_look(r->engine->router, fresh))
        return false;
    atomic_fetch_or(&r->engine->routed, fresh);
    return tell_pending(r, fresh);
}

static bool check_messages(pw_recovery *r, uint64_t held)
{
    bool good = pw_router_look(r->engine->router, 0) && tell_pending(r, held);
    uint32_t deleted = EXPIRE_PAGE;
    for (uint32_t all = 0; deleted == EXPIRE_PAGE && all < EXPIRE_MAX && !stopping(r);
         all += deleted)
        if (pw_store_messages_expire(r->engine->store, pw_engine_now(r->engine), EXPIRE_PAGE,
                                     &deleted, NULL) != PAWL_OK)
            return false;
    return good;
}

/* ------------------------------------------------------------------ answers */

typedef pawl_code (*expire_fn)(pw_store *store, int64_t before_ms, uint32_t most, uint32_t *deleted, pawl_error *err);

/* Both look first, and write only if there is something. */
static bool forget_answers(pw_recovery *r)
{
    static const expire_fn expire[] = { pw_store_answers_expire, pw_store_requests_expire };
    int64_t before = pw_engine_now(r->engine) - PW_ANSWER_MS;
    for (size_t i = 0; i < PW_LENGTH(expire); i++) {
        uint32_t deleted = EXPIRE_PAGE;
        for (uint32_t all = 0; deleted == EXPIRE_PAGE && all < EXPIRE_MAX && !stopping(r); all += deleted)
            if (expire[i](r->engine->store, before, EXPIRE_PAGE, &deleted, NULL) != PAWL_OK)
                return false;
    }
    return true;
}

/* ------------------------------------------------------------------ rounds */

/* True: it was set forward, or the machine slept: something may be overdue. Whoever waits for a time looks again. */
static bool look_at_clock(pw_recovery *r, int64_t now_ms)
{
    const pw_clock_news news = pw_clock_look(&r->clock, now_ms, pw_monotonic_ns(), pw_boot_ns());
    if (!news.jumped_ms && !news.slept_ms)
        return false;
    if (news.jumped_ms)
        PW_LOG(PW_LOG_WARNING, "timers", "clock.jumped", "the clock was set %s by %lld ms; %s",
               news.jumped_ms > 0 ? "forward" : "back", (long long)llabs(news.jumped_ms),
               news.jumped_ms > 0 ? "what is due by it is done now" : "timers wait until it says their time");
    if (news.slept_ms)
        PW_LOG(PW_LOG_WARNING, "timers", "machine.slept", "the machine slept for %llu ms",
               (unsigned long long)news.slept_ms);
    atomic_fetch_add_explicit(&r->engine->clock_jumps, 1, memory_order_relaxed);
    pw_engine_clock_moved(r->engine);
    return news.jumped_ms > 0 || news.slept_ms > 0;
}

/* What another node left: all that is due, and its timers in the window as it is. */
static bool take_over(pw_recovery *r, uint64_t gained, int64_t now_ms)
{
    return load_due(r, gained, now_ms, INT64_MIN + 1, (pw_str){ "", 0 }) &&
           read_window(r, gained, now_ms, atomic_load(&r->engine->horizon_ms));
}

/* Gives what of `gained` is to be looked at again. */
static uint64_t run_round(pw_recovery *r, uint64_t gained, bool inbox)
{
    int64_t now = pw_engine_now(r->engine);
    uint64_t clock = pw_monotonic_ns();
    uint64_t held = pw_leases_held(r->engine->leases);
    bool good = begin_hearing(r, held), first = !r->recovered;
    bool jumped = look_at_clock(r, now);
    r->hearing = good;
    bool timers = true;
    if (first) {
        r->recovered = timers = load_due(r, held, now, INT64_MIN + 1, (pw_str){ "", 0 });
        if (timers)
            PW_LOG(PW_LOG_INFO, "engine", "recovery.done", "what was in flight goes on: %llu instances have something to do",
                   (unsigned long long)atomic_load(&r->engine->busy));
    }
    timers = move_window(r, held, now) && timers;
    gained &= held; /* the others were lost again */
    bool checks = first || clock >= r->check_ns;
    if (gained && r->started && take_over(r, gained, now)) {
        if (!checks)
            good = read_inbox(r, gained) && good;
        gained = 0;
    }
    if ((checks || jumped) && !first)
        timers = load_due(r, held, now, 0, BEHIND) && timers;
    if (!timers && r->failure.code == PAWL_OK && pw_disk_allows(r->engine, false, &r->failure) == PAWL_OK)
        (void)pw_fail(&r->failure, PAWL_IO, "not everything that is due could be looked at");
    good = good && timers;
    if (checks || inbox)
        good = read_inbox(r, held) && good;
    if (checks)
        good = check_messages(r, held) && good;
    if (checks)
        good = forget_answers(r) && good;
    good = pw_schedules_check(r->engine->schedules, checks) && good;
    good = good && !gained;
    if (checks || !good) /* rounds for something else do not put the next check off */
        r->check_ns = pw_monotonic_ns() + (good ? r->engine->check_ms * 1000000u : RETRY_NS);
    return gained;
}

bool pw_recovery_work(pw_recovery *r, bool wait)
{
    (void)pthread_mutex_lock(&r->lock);
    while (wait && r->started && r->recovered && !r->stop && !r->again && !r->woken && !r->check && !r->fresh &&
           !r->inbox && !r->returns && r->rounds_wanted <= r->rounds_begun &&
           pw_monotonic_ns() < r->check_ns)
        (void)pw_condition_wait(&r->changed, &r->lock, r->check_ns);
    while (wait && !r->stop && !r->check && (!r->started || !r->recovered) && pw_monotonic_ns() < r->check_ns)
        (void)pw_condition_wait(&r->changed, &r->lock, r->check_ns); /* not faster: it failed */
    if (r->again)
        r->recovered = false;
    bool inbox = r->inbox;
    if (r->check)
        r->check_ns = 0;
    r->again = r->woken = r->check = r->fresh = r->inbox = false;
    bool stop = r->stop;
    uint64_t gained = r->gained;
    r->gained = 0;
    r->rounds_begun++;
    (void)pthread_mutex_unlock(&r->lock);
    if (!stop) {
        return_letters(r);
        r->failure = (pawl_error){ .code = PAWL_OK };
        pw_service_begin(service_of(r), pw_engine_now(r->engine));
        gained = run_round(r, gained, inbox);
        end_service_round(r);
    }
    (void)pthread_mutex_lock(&r->lock);
    r->gained |= gained;
    r->rounds_ended = r->rounds_begun;
    r->whole = r->recovered && r->started && r->hearing && !r->gained;
    pw_condition_wake(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
    return !stop;
}
