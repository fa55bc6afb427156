/* shard.h - a shard decides for the instances of its partitions. A plain object driven by what
 * comes in: no thread, no waiting but for reads of the store, so that a simulation can drive it. */
#ifndef PW_SHARD_H
#define PW_SHARD_H

#include <stdatomic.h>
#include "engine/counts.h"
#include "engine/leases.h"
#include "engine/live.h"

/* Timers that a shard has uncommitted: a quarter of what is committed at once, so that two shards leave room in the next
 * commit for whatever else comes; with less, a slow disk (30 ms a sync) would not keep up with 1,000 a second. */
#define PW_WAKING_MAX (PW_BATCH_MAX / 4)
#define PW_LIVE_IDLE_MAX 4096u /* idle instances that a shard keeps in memory */

/* What a shard knows of an instance that is in memory or has a timer in the window. There may be a million of the latter: with
 * its places in table and heap one takes less than 100 bytes. */
typedef struct pw_slot {
    struct pw_slot *next;
    int64_t due; /* PW_WAKE_NEVER: no timer */
    union {
        pw_live *live;        /* loaded */
        pawl_watch *watchers; /* not loaded: whom to call back. Of one in memory they are there */
    } of;
    uint32_t heap_at; /* place in the heap, from 1; 0: none */
    char id[PW_ID_SIZE];
    uint8_t partition : 7;
    uint8_t loaded : 1;
} pw_slot;
static_assert(PW_PARTITIONS <= 128, "seven bits");
static_assert(sizeof(pw_slot) <= 56, "so that the allocator spends 64 bytes on it");

/* Instances with a timer; answered by `reply`. */
typedef struct pw_sleepers {
    pw_message message;
    const pw_due *items;
    size_t count;
    pawl_code code; /* PAWL_NO_MEMORY: some were not taken */
    pw_reply reply;
} pw_sleepers;

typedef struct pw_notice {
    pw_message message;
    bool more; /* out: LOOK: some that are due have to wait for others */
    pw_reply reply;
} pw_notice;

/* For who is told when an instance has been deleted. */
typedef struct pw_deleted {
    pw_message message;
    pw_str instance;
    pw_reply reply;
} pw_deleted;

struct pw_shard {
    pawl *engine;
    uint32_t number;
    pw_mailbox mailbox;
    pw_expr_machine *machine;
    uint64_t seed;
    bool closing;
    uint64_t epochs[PW_PARTITIONS]; /* of the partitions that it has; 0: not, nothing is decided */
    uint64_t owned;                 /* mask of those */
    uint64_t doubted;               /* mask: the lease was not sure when it was asked */
    pw_lease_notice *notices[PW_PARTITIONS]; /* to be answered when nothing is uncommitted */
    uint32_t uncommitted, uncommitted_of[PW_PARTITIONS];
    pw_slot **buckets;
    size_t bucket_count, slot_count;
    pw_slot **heap; /* earliest first; as large as slots: adding a timer cannot fail */
    size_t heap_count, heap_size;
    uint32_t waking;    /* transitions of timers that are uncommitted: at most PW_WAKING_MAX, then the rest waits */
    pw_live *newest, *oldest; /* idle ones */
    uint32_t idle_count;
    pw_live *retries;
    pw_command *oldest_caller, *newest_caller; /* commands of callers that are not answered */
    pw_command *waiting;                       /* those of them that wait for their next try, the first one first */
    pw_step_counts counts;
};

PAWL_CHECK pawl_code pw_shard_new(pw_shard **out, pawl *engine, uint32_t number, uint64_t seed,
                                  const pw_expr_limits *limits, pawl_error *err);
/* Drops everything; nothing may be uncommitted, in flight or waiting for an answer. */
void pw_shard_free(pw_shard *shard);

/* It has the partition from now on, or (epoch 0) no more. */
void pw_shard_own(pw_shard *shard, uint32_t partition, uint64_t epoch);
/* Handles everything that was taken from the mailbox, then what is due. */
void pw_shard_handle(pw_shard *shard, pw_mail *mail);
/* When to come back without mail: monotonic; UINT64_MAX: not at all. */
uint64_t pw_shard_next_ns(const pw_shard *shard);
/* Closing, and nothing is uncommitted. */
bool pw_shard_ended(const pw_shard *shard);

/* ---- inside: shard.c */
/* The lease of its partition is good: what was read before is right, and may be said. If not, the
 * partition is dropped at the end of this round. */
bool pw_shard_sure(pw_shard *shard, const pw_live *live);
bool pw_shard_sure_of(pw_shard *shard, uint32_t partition);
/* True: what is asked of this instance is not served now, and why. */
bool pw_shard_turned_away(pw_shard *shard, pw_str instance, pawl_error *err);
/* PAWL_BUSY: whose the instance is, as far as is known. */
pawl_code pw_shard_not_ours(pw_shard *shard, pw_str instance, pawl_error *err);

/* A command has come, or its time for another try. */
void pw_shard_command(pw_shard *shard, pw_command *command);
/* The committer has it. */
bool pw_shard_commits(const pw_shard *shard, const pw_command *command);
/* It is in no queue any more, and to be answered. True: the committer has it, and may commit it. */
bool pw_shard_withdraw(pw_shard *shard, pw_command *command);

/* ---- inside: slots.c */
pw_slot *pw_slot_find(const pw_shard *shard, pw_str id);
pw_slot *pw_slot_get(pw_shard *shard, pw_str id); /* made if it is not there; NULL: out of memory */
void pw_slot_drop(pw_shard *shard, pw_slot *slot); /* if it has neither live part nor timer nor watchers */
pw_live *pw_slot_live(const pw_slot *slot);            /* NULL: not in memory */
void pw_slot_set_live(pw_slot *slot, pw_live *live);   /* its watchers stay; the one of before is the caller's again */
pawl_watch **pw_slot_watchers(pw_slot *slot);          /* whom to call back, in memory or not */
void pw_slot_timer(pw_shard *shard, pw_slot *slot, int64_t due);
pw_slot *pw_slot_due(pw_shard *shard,
                     int64_t now_ms); /* the earliest that is due, its timer taken away; NULL */

/* ---- inside: watch.c */
void pw_watcher_arrives(pw_shard *shard, pw_message *message);
void pw_watcher_leaves(pw_shard *shard, pw_message *message);
/* Of an instance that is in memory with its state: those that it has got to are told. */
void pw_watchers_look(pw_shard *shard, pw_slot *slot);
void pw_watchers_tell(pw_slot *slot, pawl_code code, const pawl_error *err); /* all of them */

/* ---- inside: decide.c */
/* Takes the next event of the instance and decides it, until one is to be committed or nothing is
 * left. */
void pw_decide(pw_shard *shard, pw_live *live);
/* For want of room on the disk it takes no event now, but a command perhaps: it is a schedule. */
bool pw_decide_holds(const pw_shard *shard, const pw_live *live);
/* The committer's answer. */
void pw_decided(pw_shard *shard, pw_commit *commit);
/* Nothing can be decided now: try again after a while that grows. */
void pw_retry_later(pw_shard *shard, pw_live *live, const pawl_error *err);

/* ---- inside: tries.c */
void pw_tries_begin(pw_shard *shard, pw_command *command); /* it has come; nothing if it has before */
void pw_tries_end(pw_command *command);                    /* it is answered */
/* It waits no longer: it is in a queue again. */
void pw_tries_now(pw_command *command);
/* Because of `err` it was not committed, as far as is known: it is tried again later, or answered with that. */
void pw_command_failed(pw_shard *shard, pw_command *command, const pawl_error *err);
/* Those whose time has come are decided again, or told that it is over. */
void pw_tries_work(pw_shard *shard);
uint64_t pw_tries_next_ns(const pw_shard *shard);
void pw_tries_close(pw_shard *shard); /* who waits for another try is told */
void pw_tries_drop(pw_shard *shard, uint64_t partitions); /* the same of these: they are not ours any more */

/* ---- inside: answers.c */
void pw_answer(pw_command *command, pawl_code code, const pawl_error *err);
/* For what is no commit but a statement about the instance: only an owner may make one. */
void pw_answer_as_owner(pw_shard *shard, pw_live *live, pw_command *command, pawl_code code, const pawl_error *err);
/* It has an idempotency key, and leaves its answer under that. */
bool pw_command_is_request(const pw_command *command);
/* The same request again hears what it heard; another one under its key is refused. False: it is new, and not answered. */
bool pw_command_was_answered(pw_shard *shard, pw_live *live, pw_command *command);
/* A start whose id is taken: by the same key, or not. */
void pw_answer_existing(pw_shard *shard, pw_live *live, pw_command *command);
/* Of a command that found no open bookmark: PAWL_OK, it is a repeat; else why it cannot be. */
PAWL_CHECK pawl_code pw_judge_bookmark(pw_shard *shard, const pw_live *live, const pw_command *command, pawl_error *err);
/* Whether its row has had its effect, or is gone: by another letter, or another node. */
PAWL_CHECK pawl_code pw_command_used(pw_shard *shard, const pw_command *command, bool *used, pawl_error *err);

/* ---- inside: act.c */
/* Makes ready all that is to be started after the commit, so that nothing can fail then. */
PAWL_CHECK pawl_code pw_act_prepare(pw_shard *shard, pw_live *live, pawl_error *err);
void pw_act_drop(pw_commit *commit);         /* what was prepared */
void pw_act(pw_shard *shard, pw_live *live); /* after the commit */
/* Nothing of the instance is waited for any more: the next owner starts it again. */
void pw_act_stop(pw_shard *shard, pw_live *live);
/* What nobody knows the fate of, and must not be begun again before that is committed. */
typedef struct pw_lost {
    pw_event_kind kind; /* CALL_LOST, ACTIVITY_LOST */
    uint64_t visit;     /* 0: nothing */
    uint32_t attempt;
} pw_lost;
/* Starts what the committed state wants and nobody is at, after a load or when an instance goes on. One at a time is
 * found lost; then it is to be asked again. */
PAWL_CHECK pawl_code pw_act_check(pw_shard *shard, pw_live *live, pw_lost *lost, pawl_error *err);
#endif
