/* leases.h - which partitions are this node's, and since when. A plain object driven by its own
 * thread; what it has learnt is told to the shards, which alone act upon it.
 *
 * An exclusive store has one node: it takes all partitions when it is opened, its lease never ends,
 * and nothing runs. */
#ifndef PW_LEASES_H
#define PW_LEASES_H

#include "engine/mailbox.h"
#include "store/store.h"

#define PW_LEASE_MS 15000u
#define PW_NODE_NAME_MAX 64u

typedef struct pw_node_options {
    const char *name;  /* how its id begins; NULL: host and process. An end by chance makes the id
                          one that no other process has had */
    uint64_t lease_ms; /* 0: PW_LEASE_MS; a node that is silent for so long loses its partitions */
} pw_node_options;

typedef struct pw_leases pw_leases;

/* To the shard of a partition: it is ours under this epoch, or (0) is not to be any more. Answered
 * by pw_leases_answer() when that is so: nothing of the partition is uncommitted or in memory from
 * before. */
typedef struct pw_lease_notice {
    pw_message message; /* LEASE */
    uint32_t partition;
    uint64_t epoch;
} pw_lease_notice;

PAWL_CHECK pawl_code pw_leases_new(pw_leases **out, pawl *p, const pw_node_options *node,
                                   pawl_error *err);
/* The first beat, and takes its share; before the shards run. */
PAWL_CHECK pawl_code pw_leases_join(pw_leases *leases, pawl_error *err);
/* One round: beats when it is time, takes and gives, tells the shards; false: stop. Waits for
 * something to do if `wait`. Not for an exclusive store. */
bool pw_leases_work(pw_leases *leases, bool wait);
void pw_leases_stop(pw_leases *leases);
/* Gives everything back; nothing decides any more. */
void pw_leases_leave(pw_leases *leases);
void pw_leases_free(pw_leases *leases);

/* ---- for any thread */

bool pw_leases_exclusive(const pw_leases *leases);
const char *pw_leases_node(const pw_leases *leases); /* this node's id */
/* Those that are its own and its shards have. */
uint64_t pw_leases_held(const pw_leases *leases);
/* Under which epoch a partition is its own; 0: it is not. */
uint64_t pw_leases_epoch(const pw_leases *leases, uint32_t partition);
/* The partition is this node's under that epoch, and its lease is not over by its own clock. What
 * was read from the store before this was asked is then right. */
bool pw_leases_sure(const pw_leases *leases, uint32_t partition, uint64_t epoch);
/* When the lease is over if no beat succeeds before: pw_monotonic_ns; UINT64_MAX: never. */
uint64_t pw_leases_end_ns(const pw_leases *leases);
/* Beat now. */
void pw_leases_wake(pw_leases *leases);
/* Until a beat that began after this call has succeeded, and all that followed from it is done:
 * gained partitions are the shards', lost ones are not, and what was to be given is given.
 * PAWL_TIMEOUT, PAWL_BUSY: closing. */
PAWL_CHECK pawl_code pw_leases_round(pw_leases *leases, uint64_t deadline_ns, pawl_error *err);

/* ---- for the shards */

void pw_leases_answer(pw_leases *leases, pw_lease_notice *notice);
/* The shard has dropped the partition by itself: its commit was fenced, or the lease was over. */
void pw_leases_dropped(pw_leases *leases, uint32_t partition, uint64_t epoch);
#endif
