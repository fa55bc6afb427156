/* counts.h - what the engine counts as it goes: of steps, of definitions, of services that are called, of requests that
 * were served. metrics.c reads it.
 *
 * A step costs two looks at the clock and some relaxed additions to numbers of its own shard; nothing is allocated but a row
 * for a name that is seen for the first time, and there are only so many of these. */
#ifndef PW_COUNTS_H
#define PW_COUNTS_H

#include <pthread.h>
#include "core/core.h"
#include "drivers/http.h"
#include "store/store.h"
#include "watch/metrics.h"

typedef struct pw_live pw_live;

/* ------------------------------------------------------------------ numbers of one shard */

typedef enum pw_fault_end { /* what became of a fault */
    PW_FAULT_RETRIED,
    PW_FAULT_INCIDENT,
    PW_FAULT_SUSPENDED,   /* an incident that suspends */
    PW_FAULT_COMPENSATED, /* undone at once, as the definition wants it */
    PW_FAULT_ENDS
} pw_fault_end;

#define PW_EVENT_KIND_COUNT (PW_EVENT_REWIND + 1)

typedef struct pw_step_counts { /* all zero: none. Relaxed */
    pw_histogram step;  /* from its decision to the answer of its commit */
    atomic_ullong started, ended[PW_STATUS_COUNT];
    atomic_ullong faults[PW_FAULT_KIND_COUNT][PW_ERROR_CLASS_COUNT][PW_FAULT_ENDS];
    atomic_ullong incidents; /* that came up, and wait for a person */
    atomic_ullong resolved;  /* that are over */
    atomic_ullong actions[PW_EVENT_KIND_COUNT]; /* steps that a person, or who acts for one, has caused */
} pw_step_counts;

/* ------------------------------------------------------------------ numbers by name */

#define PW_NAMED_MAX 200u
#define PW_NAMED_OTHER "_other"
typedef struct pw_named_row { /* first member of each row */
    pw_str name;
    uint32_t hash;
} pw_named_row;

/* Rows are made by the first who asks, and stay: a counter never goes back. What comes when there are `most` is counted
 * in one row, "_other". */
typedef struct pw_named {
    size_t row_size;
    uint32_t most;
    pw_named_row *other;
    pthread_mutex_t lock; /* of who adds */
    atomic_uint count;
    pw_named_row *rows[PW_NAMED_MAX + 1]; /* the first `count`: read without the lock */
    _Atomic(pw_named_row *) buckets[512];
} pw_named;
PAWL_CHECK pawl_code pw_named_init(pw_named *named, size_t row_size, uint32_t most, pawl_error *err);
void pw_named_done(pw_named *named);
/* Never NULL. Any thread. */
pw_named_row *pw_named_get(pw_named *named, pw_str name);

typedef struct pw_definition_counts { /* "namespace/name" */
    pw_named_row row;
    atomic_ullong started, ended[PW_STATUS_COUNT];
} pw_definition_counts;

typedef enum pw_call_end {
    PW_CALL_END_SUCCESS,
    PW_CALL_END_REJECTED, /* answered 4xx, or in a way that cannot be read: none of the service's failures */
    PW_CALL_END_FAILURE,  /* counts against its breaker */
    PW_CALL_END_REFUSED,  /* not sent: by an open breaker, or by the rules */
    PW_CALL_END_CANCELLED,
    PW_CALL_ENDS
} pw_call_end;
const char *pw_call_end_name(pw_call_end end);

#define PW_NAMED_SERVICES 100u
typedef struct pw_service_counts {
    pw_named_row row;
    atomic_ullong ended[PW_CALL_ENDS];
    atomic_ullong retries; /* of `ended`: of attempts that were not the first */
    atomic_ullong opened;  /* times that its breaker has opened */
    pw_histogram duration; /* of those that were sent */
} pw_service_counts;

typedef struct pw_function_counts { /* of activities */
    pw_named_row row;
    pw_histogram ran;    /* functions of this process: from being asked for to their end */
    pw_histogram waited; /* jobs: until a worker has them */
    pw_histogram held;   /* jobs: from there to the commit of the answer */
} pw_function_counts;

#define PW_STATUS_CLASSES 6 /* by the first digit; [0]: anything else */
typedef struct pw_served_counts {
    pw_named_row row;
    atomic_ullong answers[PW_STATUS_CLASSES];
    pw_histogram duration;
} pw_served_counts;

typedef struct pw_sink_count { /* what waits there */
    char name[PW_SINK_NAME_MAX + 1];
    uint64_t pending, dead;
    int64_t oldest_ms; /* -1: nothing is pending */
} pw_sink_count;

typedef struct pw_stored_counts { /* what is in the store now */
    uint64_t instances[PW_STATUS_COUNT], incidents;
    pw_sink_count sinks[PW_SINKS_MAX + 1]; /* with events; beyond the first, "_other" */
    size_t sink_count;
} pw_stored_counts;

typedef struct pw_counts {
    pw_named definitions, services, functions, served;

    pthread_mutex_t lock; /* of what was read from the store, below; held while it is read */
    uint64_t good_until_ns;
    pw_stored_counts stored;
} pw_counts;
PAWL_CHECK pawl_code pw_counts_new(pw_counts **out, pawl_error *err);
void pw_counts_free(pw_counts *counts); /* NULL is fine */

/* ------------------------------------------------------------------ what has happened */

/* Somebody has decided this, not the engine by itself. */
bool pw_count_is_action(pw_event_kind kind);
/* live->commit has been committed, and is not adopted yet. */
void pw_count_step(pawl *p, pw_step_counts *counts, const pw_live *live);
void pw_count_call(pw_counts *counts, const pw_http_call *call);
/* A function of this process has ended; it was asked for at begun_ns. */
void pw_count_ran(pw_counts *counts, pw_str function, uint64_t begun_ns);
void pw_count_job_given(pw_counts *counts, pw_str function, int64_t waited_ms);
void pw_count_job_answered(pw_counts *counts, pw_str function, uint64_t held_ns);
void pw_count_breaker_opened(pw_counts *counts, pw_str service);
#endif
