/* outbox.h - publishes what was committed: one thread for each sink.
 *
 *     commit --> wake --> page --> sink --> ends, in one transaction --> the next page
 *
 * Nothing is claimed: who has the lease of an instance's partition publishes its events, and the epoch fences what is
 * written of it. So an event is published at least once, always with the same id, and an instance's events reach a sink in
 * their order: the store gives only the oldest that is pending and those right behind it, and a sink sends none before the one before it
 * was taken.
 *
 * A failure is the event's: it is tried again after 1, 2, 4 ... s with full jitter, and after so many failures it is a
 * dead letter, which lets those behind it go. A sink that cannot be reached at all is nobody's failure: one event of the
 * page is charged, no other is touched, and the whole sink waits as long as that event would. */
#ifndef PW_OUTBOX_H
#define PW_OUTBOX_H

#include "engine/background.h"
#include "store/store.h"

#define PW_OUTBOX_BATCH 10
#define PW_OUTBOX_INTERVAL_MS 5000
#define PW_OUTBOX_RETRIES 3

typedef struct pw_leases pw_leases;
typedef struct pw_outbox pw_outbox;

typedef struct pw_outbox_options {
    pw_store *store;
    const pw_leases *leases;
    const pawl *engine;   /* in whose traces the events are */
    const pawl_sink_options *sinks; /* of the size that their struct_size says; text is copied */
    size_t sink_count;
    uint32_t batch;       /* 0: PW_OUTBOX_BATCH; at most PW_PAGE_MAX */
    uint64_t interval_ms; /* 0: PW_OUTBOX_INTERVAL_MS */
    uint32_t retries;     /* 0: PW_OUTBOX_RETRIES; UINT32_MAX: for ever */
    uint64_t base_delay_ms, max_delay_ms;
    uint64_t seed;
    bool off;             /* rows are written for the sinks, and another process publishes them */
    pw_service *service;  /* is given what all of them come to */
    void *context;
    int64_t (*now_ms)(void *context);
    void (*on_failure)(void *context, const pawl_error *err); /* the store failed */
} pw_outbox_options;

/* Reads the sinks and tells the store of them: before the first commit. PAWL_INVALID; PAWL_NOT_FOUND: a library is not there. */
PAWL_CHECK pawl_code pw_outbox_new(pw_outbox **out, const pw_outbox_options *options, pawl_error *err);
/* Before anybody tells it of anything. */
PAWL_CHECK pawl_code pw_outbox_start(pw_outbox *outbox, pawl_error *err);
/* Tells it; does not wait. What is under way is given up, what was taken is written. */
void pw_outbox_stop(pw_outbox *outbox);
void pw_outbox_free(pw_outbox *outbox); /* stops it, and waits */

/* ---- for any thread; NULL is fine */

/* Events were committed: the sinks that want one of them look now. */
void pw_outbox_committed(pw_outbox *outbox, const pw_transition *transition);
void pw_outbox_wake(pw_outbox *outbox); /* all sinks: the clock has moved, a letter was requeued */
/* Until each sink has gone round once more, from its beginning to its end. PAWL_TIMEOUT; PAWL_BUSY: stopping. */
PAWL_CHECK pawl_code pw_outbox_round(pw_outbox *outbox, uint64_t deadline_ns, pawl_error *err);

typedef struct pw_outbox_sink { /* text in the caller's arena */
    pw_str name, type, target;
    bool tried, failing;        /* failing: the last that was tried was not taken */
    uint64_t published, failed; /* since the process began */
    uint64_t dead;              /* the same: dead letters that it has made */
    pw_str error;               /* of the last failure; empty: none */
    int64_t failed_ms, published_ms; /* the last; -1: none */
} pw_outbox_sink;
/* As the threads know them: in the order of the options. */
PAWL_CHECK pawl_code pw_outbox_look(pw_outbox *outbox, pw_outbox_sink **out, size_t *count, pw_arena *arena, pawl_error *err);

/* ---- outbox_event.c */

/* The CloudEvent as it is published: the one that is stored, with the extension attributes pawlinstance, pawlsequence, pawlordinal,
 * pawlrequeued (if it was) and traceparent (if the instance has a trace, and the event none of its own). *trace: that. PAWL_CORRUPT: what is
 * stored is no JSON object. */
PAWL_CHECK pawl_code pw_outbox_payload(pw_str *out, pw_str *trace, const pawl *p, const pw_publish_row *row, pw_arena *arena,
                                       pawl_error *err);
#endif
