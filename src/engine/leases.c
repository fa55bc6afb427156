/* leases.c - beats, and what follows from them.
 *
 * A beat tells which partitions are held under which epochs, which are free, and how many nodes
 * live. From that follows a target for each partition: an epoch, or none. A node takes free ones up
 * to its share and gives the ones above it, so that shares meet when nodes join, leave or die. A
 * partition's shard is told when its target is another than what it was told last, one notice at a
 * time; it answers when it has done so, which may have to wait for a commit. So this thread never
 * waits for a shard, and a beat is never late because of one.
 *
 *   not ours --taken, held--> told --answered--> ours (recovery is told) --above the share--> told
 *      ^                                          | fenced, or the lease was over        |
 *      |<-----------------------------------------'                                      |
 *      '<--given back in the store <----------------------------------------- answered --'
 *
 * What must never be: a shard that believes in a partition which a beat has shown to be lost. So
 * lost epochs are taken from `epochs` before the lease is made longer, and pw_leases_sure() reads
 * them in the other order. A lease counts from before its beat was sent. */
#include <stdio.h>
#include <unistd.h>
#include "engine/engine.h"

enum {
    BEATS_PER_LEASE = 3,
    TRIES_PER_LEASE = 10, /* after a beat that failed */
};

typedef struct partition {
    pw_lease_notice notice;
    bool sent;        /* the notice is with the shard */
    uint64_t target;  /* epoch; 0: not to be ours */
    uint64_t told;    /* the epoch that the shard has; 0: none */
    bool answered;    /* under the lock: the notice is back */
    uint64_t dropped; /* under the lock: the shard has dropped it under this epoch; 0: no */
} partition;

struct pw_leases {
    pawl *engine;
    bool exclusive, joined;
    uint64_t lease_ms;
    char node[PW_NODE_ID_MAX + 1];
    /* for any thread */
    atomic_uint_fast64_t epochs[PW_PARTITIONS]; /* 0: not ours */
    atomic_uint_fast64_t end_ns;
    atomic_uint_fast64_t held;
    pthread_mutex_t lock; /* of what follows, up to the next blank line */
    pthread_cond_t changed;
    bool stop, news, beat_now;
    uint64_t rounds_wanted, rounds_begun, rounds_ended;

    /* the thread's own */
    uint64_t beat_ns;  /* when the next one is due */
    uint64_t giving;   /* to be given back in the store as soon as their shards have */
    uint64_t settling; /* the round that is to be ended when nothing is under way; 0: none */
    partition partitions[PW_PARTITIONS];
};

#define BIT(n) (UINT64_C(1) << (n))

static unsigned count_of(uint64_t mask)
{
    return (unsigned)__builtin_popcountll(mask);
}

/* ------------------------------------------------------------------ making */

static pawl_code make_id(pw_leases *l, const char *name, pawl_error *err)
{
    uint32_t chance[2];
    char made[PW_NODE_NAME_MAX + 1];
    if (!name) {
        char host[40];
        if (gethostname(host, sizeof host) != 0)
            (void)snprintf(host, sizeof host, "host");
        host[sizeof host - 1] = '\0'; /* a longer one is cut, and need not end */
        (void)snprintf(made, sizeof made, "%s-%ld", host, (long)getpid());
        name = made;
    }
    if (!name[0] || strlen(name) > PW_NODE_NAME_MAX || !pw_utf8_valid(pw_str_of(name)))
        return pw_fail(err, PAWL_INVALID, "a node's name must have 1 to %u bytes of UTF-8",
                       PW_NODE_NAME_MAX);
    pawl_code code = pw_random(chance, sizeof chance, err);
    if (code == PAWL_OK)
        (void)snprintf(l->node, sizeof l->node, "%s-%08x%08x", name, chance[0], chance[1]);
    return code;
}

pawl_code pw_leases_new(pw_leases **out, pawl *p, const pw_node_options *given, pawl_error *err)
{
    const pw_node_options options = given ? *given : (pw_node_options){ .name = NULL };
    if (options.lease_ms > PW_LEASE_MAX_MS)
        return pw_fail(err, PAWL_INVALID, "a lease must be at most %llu ms, not %llu",
                       (unsigned long long)PW_LEASE_MAX_MS, (unsigned long long)options.lease_ms);
    pw_leases *l = pw_zalloc(sizeof *l);
    if (!l)
        return pw_no_memory(err);
    l->engine = p;
    l->exclusive = pw_store_exclusive(p->store);
    l->lease_ms = options.lease_ms ? options.lease_ms : PW_LEASE_MS;
    for (uint32_t n = 0; n < PW_PARTITIONS; n++)
        l->partitions[n].notice =
            (pw_lease_notice){ .message.kind = PW_MESSAGE_LEASE, .partition = n };
    pawl_code code = make_id(l, options.name, err);
    int failed = code == PAWL_OK ? pthread_mutex_init(&l->lock, NULL) : 0;
    if (failed)
        code = pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory");
    if (code == PAWL_OK && (code = pw_condition_init(&l->changed, err)) != PAWL_OK)
        (void)pthread_mutex_destroy(&l->lock);
    if (code != PAWL_OK) {
        pw_free(l);
        return code;
    }
    *out = l;
    return PAWL_OK;
}

void pw_leases_free(pw_leases *l)
{
    if (!l)
        return;
    pw_condition_done(&l->changed);
    (void)pthread_mutex_destroy(&l->lock);
    pw_free(l);
}

/* ------------------------------------------------------------------ for any thread */

bool pw_leases_exclusive(const pw_leases *l)
{
    return l->exclusive;
}

const char *pw_leases_node(const pw_leases *l)
{
    return l->node;
}

uint64_t pw_leases_held(const pw_leases *l)
{
    return atomic_load(&l->held);
}

uint64_t pw_leases_end_ns(const pw_leases *l)
{
    return atomic_load(&l->end_ns);
}

uint64_t pw_leases_epoch(const pw_leases *l, uint32_t n)
{
    return atomic_load(&l->epochs[n]);
}

bool pw_leases_sure(const pw_leases *l, uint32_t n, uint64_t epoch)
{
    uint64_t end = atomic_load(&l->end_ns); /* before the epoch: see the top */
    return epoch != 0 && atomic_load(&l->epochs[n]) == epoch &&
           (end == UINT64_MAX || pw_monotonic_ns() < end);
}

static void raise_flag(pw_leases *l, bool *flag)
{
    (void)pthread_mutex_lock(&l->lock);
    *flag = true;
    pw_condition_wake(&l->changed);
    (void)pthread_mutex_unlock(&l->lock);
}

void pw_leases_wake(pw_leases *l)
{
    raise_flag(l, &l->beat_now);
}

void pw_leases_stop(pw_leases *l)
{
    raise_flag(l, &l->stop);
}

void pw_leases_answer(pw_leases *l, pw_lease_notice *notice)
{
    (void)pthread_mutex_lock(&l->lock);
    l->partitions[notice->partition].answered = true;
    l->news = true;
    pw_condition_wake(&l->changed);
    (void)pthread_mutex_unlock(&l->lock);
}

void pw_leases_dropped(pw_leases *l, uint32_t n, uint64_t epoch)
{
    (void)pthread_mutex_lock(&l->lock);
    l->partitions[n].dropped = epoch;
    l->beat_now = true; /* whose is it now? */
    pw_condition_wake(&l->changed);
    (void)pthread_mutex_unlock(&l->lock);
}

pawl_code pw_leases_round(pw_leases *l, uint64_t deadline_ns, pawl_error *err)
{
    (void)pthread_mutex_lock(&l->lock);
    uint64_t wanted = l->rounds_begun + 1;
    if (l->rounds_wanted < wanted)
        l->rounds_wanted = wanted;
    l->beat_now = true;
    pw_condition_wake(&l->changed);
    bool in_time = true;
    while (l->rounds_ended < wanted && !l->stop && in_time)
        in_time = pw_condition_wait(&l->changed, &l->lock, deadline_ns);
    bool ended = l->rounds_ended >= wanted, stop = l->stop;
    (void)pthread_mutex_unlock(&l->lock);
    if (ended)
        return PAWL_OK;
    if (stop)
        return pw_fail(err, PAWL_BUSY, "closing");
    return pw_fail(err, PAWL_TIMEOUT, "the node has not heard from the store, or a shard from it");
}

/* ------------------------------------------------------------------ what the store says */

static void set_target(pw_leases *l, uint32_t n, uint64_t epoch)
{
    l->partitions[n].target = epoch;
    atomic_store(&l->epochs[n], epoch);
}

static void adopt(pw_leases *l, const pw_partitions *now)
{
    l->giving &= now->held;
    for (uint32_t n = 0; n < PW_PARTITIONS; n++)
        set_target(l, n, l->giving & BIT(n) ? 0 : now->epochs[n]);
}

/* The lowest (or highest) `count` bits of a mask. */
static uint64_t some_of(uint64_t mask, unsigned count, bool highest)
{
    uint64_t some = 0;
    for (uint32_t i = 0; i < PW_PARTITIONS && count > 0; i++) {
        uint64_t bit = BIT(highest ? PW_PARTITIONS - 1 - i : i);
        if (mask & bit) {
            some |= bit;
            count--;
        }
    }
    return some;
}

/* Takes up to its share, or decides what of it is too much. */
static pawl_code balance(pw_leases *l, const pw_partitions *now, pawl_error *err)
{
    uint32_t nodes = now->nodes > 0 ? now->nodes : 1;
    unsigned share = (PW_PARTITIONS + nodes - 1) / nodes;
    uint64_t mine = now->held & ~l->giving;
    if (count_of(mine) > share) {
        uint64_t above = some_of(mine, count_of(mine) - share, true);
        l->giving |= above;
        for (uint32_t n = 0; n < PW_PARTITIONS; n++)
            if (above & BIT(n))
                set_target(l, n, 0);
        return PAWL_OK;
    }
    uint64_t wanted = some_of(now->free, share - count_of(mine), false);
    if (!wanted || atomic_load(&l->engine->closing))
        return PAWL_OK;
    pw_partitions after;
    pawl_code code =
        pw_store_partitions_take(l->engine->store, pw_str_of(l->node), wanted, &after, err);
    if (code == PAWL_OK) /* else the next beat tells what came of it */
        adopt(l, &after);
    return code;
}

static pawl_code beat(pw_leases *l, pawl_error *err)
{
    pw_partitions now;
    uint64_t sent = pw_monotonic_ns(), lease_ns = l->lease_ms * 1000000u;
    pawl_code code =
        pw_store_node_beat(l->engine->store, pw_str_of(l->node), l->lease_ms, &now, err);
    if (code == PAWL_OK) {
        adopt(l, &now);
        atomic_store(&l->end_ns, sent + lease_ns);
        code = balance(l, &now, err);
    }
    l->beat_ns = sent + lease_ns / (code == PAWL_OK ? BEATS_PER_LEASE : TRIES_PER_LEASE);
    return code;
}

/* What the shards have given up goes back to the store. False: the store did not take it. */
static bool give(pw_leases *l)
{
    uint64_t ready = 0;
    for (uint32_t n = 0; n < PW_PARTITIONS; n++)
        if (l->giving & BIT(n) && !l->partitions[n].sent && l->partitions[n].told == 0)
            ready |= BIT(n);
    if (!ready)
        return true;
    if (pw_store_partitions_give(l->engine->store, pw_str_of(l->node), ready, false, NULL) !=
        PAWL_OK)
        return false;
    l->giving &= ~ready;
    return true;
}

/* ------------------------------------------------------------------ what the shards hear and say
 */

static void tell(pw_leases *l)
{
    for (uint32_t n = 0; n < PW_PARTITIONS; n++) {
        partition *p = &l->partitions[n];
        if (p->sent || p->told == p->target)
            continue;
        p->sent = true;
        p->notice.epoch = p->target;
        pw_shard *shard = l->engine->shards[n % l->engine->shard_count];
        pw_mailbox_message(pw_shard_mailbox(shard), &p->notice.message);
    }
}

/* Under the lock: what came back. Gives those that a shard has taken. */
static uint64_t collect(pw_leases *l)
{
    uint64_t gained = 0;
    for (uint32_t n = 0; n < PW_PARTITIONS; n++) {
        partition *p = &l->partitions[n];
        if (p->answered) {
            p->answered = p->sent = false;
            p->told = p->notice.epoch;
            gained |= p->told ? BIT(n) : 0;
        }
        if (p->dropped && p->dropped == p->told) {
            p->told = 0;
            gained &= ~BIT(n);
        }
        p->dropped = 0;
    }
    return gained;
}

static void show_held(pw_leases *l)
{
    uint64_t held = 0;
    for (uint32_t n = 0; n < PW_PARTITIONS; n++)
        if (l->partitions[n].told && l->partitions[n].told == l->partitions[n].target)
            held |= BIT(n);
    const uint64_t before = atomic_exchange(&l->held, held);
    if (before != held && !l->exclusive)
        PW_LOG(PW_LOG_INFO, "leases", "leases.changed", "this node (%s) has %u partitions now, and had %u", l->node, count_of(held), count_of(before));
}

static bool all_done(const pw_leases *l)
{
    for (uint32_t n = 0; n < PW_PARTITIONS; n++)
        if (l->partitions[n].sent || l->partitions[n].told != l->partitions[n].target)
            return false;
    return l->giving == 0;
}

/* ------------------------------------------------------------------ rounds */

static pawl_code join_alone(pw_leases *l, pawl_error *err)
{
    pw_partitions now;
    pawl_code code = pw_store_partitions_take(l->engine->store, pw_str_of(l->node),
                                              PW_ALL_PARTITIONS, &now, err);
    if (code != PAWL_OK)
        return code;
    adopt(l, &now);
    atomic_store(&l->end_ns, UINT64_MAX);
    for (uint32_t n = 0; n < PW_PARTITIONS; n++) {
        pw_shard_own(l->engine->shards[n % l->engine->shard_count], n, now.epochs[n]);
        l->partitions[n].told = now.epochs[n];
    }
    show_held(l);
    return PAWL_OK;
}

pawl_code pw_leases_join(pw_leases *l, pawl_error *err)
{
    l->joined = true; /* it may be, also if the store says no */
    if (l->exclusive)
        return join_alone(l, err);
    pawl_code code = beat(l, err);
    tell(l);
    return code;
}

void pw_leases_leave(pw_leases *l)
{
    if (l->joined) /* a store that fails frees them when the lease is over */
        (void)!pw_store_partitions_give(l->engine->store, pw_str_of(l->node), PW_ALL_PARTITIONS,
                                        true, NULL);
    l->joined = false;
}

bool pw_leases_work(pw_leases *l, bool wait)
{
    (void)pthread_mutex_lock(&l->lock);
    while (wait && !l->stop && !l->news && !l->beat_now && pw_monotonic_ns() < l->beat_ns)
        (void)pw_condition_wait(&l->changed, &l->lock, l->beat_ns);
    bool stop = l->stop, beats = l->beat_now || pw_monotonic_ns() >= l->beat_ns;
    l->news = l->beat_now = false;
    uint64_t gained = collect(l);
    if (beats)
        l->rounds_begun++;
    uint64_t round = l->rounds_begun;
    (void)pthread_mutex_unlock(&l->lock);
    if (stop)
        return false;
    show_held(l);
    if (gained)
        pw_recovery_gained(l->engine->recovery, gained);
    bool given = give(l);
    if (beats && beat(l, NULL) == PAWL_OK)
        l->settling = round;
    if (!given && l->beat_ns > pw_monotonic_ns() + l->lease_ms * 1000000u / TRIES_PER_LEASE)
        l->beat_ns = pw_monotonic_ns() + l->lease_ms * 1000000u / TRIES_PER_LEASE;
    tell(l);
    show_held(l);
    if (!l->settling || !all_done(l))
        return true;
    (void)pthread_mutex_lock(&l->lock);
    l->rounds_ended = l->settling;
    pw_condition_wake(&l->changed);
    (void)pthread_mutex_unlock(&l->lock);
    l->settling = 0;
    return true;
}
