/* committer.h - the one thread that writes: it takes what all shards have decided, up to 512 at
 * once, commits it with one fsync, and hands each item back to its shard. A shard hears of success
 * only once it is certain. */
#ifndef PW_COMMITTER_H
#define PW_COMMITTER_H

#include <pthread.h>
#include <stdatomic.h>
#include "engine/mailbox.h"
#include "store/store.h"

#define PW_BATCH_MAX 512u

typedef struct pw_shard pw_shard;
typedef struct pw_live pw_live;
typedef struct pw_command pw_command;

/* One uncommitted transition; part of its instance, so that it is always there. All that `item`
 * points to lives in the instance's arena until the commit is handed back. */
struct pw_commit {
    pw_commit *next;
    pw_shard *shard;
    pw_live *live;
    pw_commit_item item;
    pw_transition transition;
    pw_arena_mark mark; /* of the instance's arena, before the step */
    uint64_t begun_ns;  /* its decision */
    bool from_command;  /* handed back, not retried, when the store fails: its caller decides */
    atomic_bool
        given_up; /* its caller was told that the store fails: not to be committed any more */
    pw_command *command; /* the cause, if it is one of these; NULL once answered */
    pw_http_call *call;
    pw_job *job;
    pw_ticket *ticket;
    uint64_t job_visit;      /* the attempt that a worker has answered; 0: none */
    uint32_t job_attempt;
    pw_http_call *calls; /* prepared: nothing can fail after the commit */
    pw_job *jobs, **last_job;
    pw_ticket *tickets, **last_ticket;
    struct pw_errand *errands; /* the same, for the router */
    struct pw_letter *letters, **last_letter; /* rows for other instances */
    bool letters_left; /* ... of which some have no letter */
    char *report; /* for on_step; NULL: nobody asked */
};

typedef struct pw_committer pw_committer;

typedef struct pw_committer_hooks {
    void *context;
    /* The store fails, or works again (code PAWL_OK). On the committer's thread. */
    void (*on_health)(void *context, pawl_code code, const pawl_error *err);
    /* The disk was full: has it room again? Asked before each further try; NULL: it is tried. */
    bool (*has_room)(void *context);
} pw_committer_hooks;

PAWL_CHECK pawl_code pw_committer_new(pw_committer **out, pw_store *store,
                                      const pw_committer_hooks *hooks, pawl_error *err);
void pw_committer_push(pw_committer *committer, pw_commit *commit);
/* Another writer (deploy) got PAWL_IO: the store is opened again before the next commit. */
void pw_committer_suspect(pw_committer *committer, const pawl_error *err);
/* From now on a store that fails is given up after the second try. */
void pw_committer_closing(pw_committer *committer);
/* Commits what is queued, once. False: there was nothing. For the thread, and for a simulation. */
bool pw_committer_work(pw_committer *committer, bool wait);
void pw_committer_stop(pw_committer *committer); /* work() returns false when the queue is empty */
void pw_committer_free(pw_committer *committer);

pw_mailbox *pw_shard_mailbox(pw_shard *shard); /* shard.c */
#endif
