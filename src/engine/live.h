/* live.h - an instance in memory. Owned by one shard; nobody else touches it. */
#ifndef PW_LIVE_H
#define PW_LIVE_H

#include "engine/committer.h"
#include "base/digest.h"
#include "engine/hear.h"
#include "engine/programs.h"

#define PW_ID_LENGTH 26u

/* A started intent, by the visit and attempt that its answer will name. */
typedef enum pw_flight_kind {
    PW_FLIGHT_CALL, /* an HTTP request */
    PW_FLIGHT_JOB,  /* an attempt in the pool */
} pw_flight_kind;

typedef struct pw_flight {
    uint64_t visit;
    uint32_t attempt;
    pw_flight_kind kind;
} pw_flight;

/* Who waits for an instance to be somewhere. On the waiting thread's stack; `reply` gives it back.
 */
typedef enum pw_watch_kind {
    PW_WATCH_END,
    PW_WATCH_SETTLED,
    PW_WATCH_IDLE,
    PW_WATCH_QUIET,  /* the auditor: nobody is at it */
    PW_WATCH_LOADED, /* recovery: it is in memory, what it lost is being repaired, and its first step since is committed */
} pw_watch_kind;

typedef struct pw_watch {
    pw_message message; /* WATCH */
    pw_message cancel;  /* UNWATCH */
    struct pw_watch *next;
    pw_str instance;
    pw_watch_kind kind;
    bool once;     /* only look: PAWL_TIMEOUT if it is not there yet */
    bool seen;     /* the shard's: it was there, with this token */
    uint64_t token;
    pw_live *live; /* while it waits */
    pawl_code code;
    pawl_error error;
    pw_reply reply;
    pw_reply withdrawn; /* of `cancel`: the shard has seen it, and knows this watch no more */
} pw_watch;

/* How often a command was decided, or would have been if the store had been there: see tries.c. */
typedef struct pw_tries {
    struct pw_shard *shard;            /* that has it; NULL: it is answered, or nobody waits for it */
    struct pw_command *older, *newer;  /* of those that the shard has */
    struct pw_command *next;           /* in the list of those that wait for their next try */
    uint64_t began_ns, due_ns;         /* due_ns 0: it does not wait */
    uint32_t made;                     /* that came to nothing */
} pw_tries;

/* A command on its way. The caller's memory, and all it points to, until `answered` is called. */
struct pw_command {
    pw_message message;
    struct pw_command *next; /* in its instance's queue */
    pw_str instance;
    pw_event event;
    const pw_instance_new *create; /* START */
    pw_program *program;           /* START: the caller's reference */
    pw_str data_digest;            /* RESUME: hex SHA-256 of the canonical data */
    struct pw_letter *letter;      /* that brought it; NULL: a caller did */
    pw_inbox_use inbox;            /* key.ptr NULL: nothing of it is kept; `stored`: it comes from the inbox; else it is a
                                    * request with an idempotency key, and its answer is kept there */
    bool refused;                  /* an inbox row that is no command: `error` says why */
    uint64_t if_token;             /* not 0: refused if the instance has another */
    uint64_t lease_ms;             /* CLAIM: how long; 0: until it is released */
    pw_str correlation;            /* of its step; empty: the instance's */
    pw_str once;                   /* idempotency key, as it was given; empty: none */
    bool dry_run;                  /* it is decided, and thrown away: `foreseen` says what it would have been */
    pw_value done;                 /* REWIND: what was done outside since; PW_NONE: of another kind */
    pawl_code code;
    pawl_error error;
    bool existed; /* START: the key was used before, with the same input */
    bool repeated;    /* out: it was so before */
    char *foreseen;   /* out: JSON, to pw_free */
    uint64_t token;   /* out: the instance's, behind it */
    pw_status status; /* out: the same */
    void (*answered)(struct pw_command *command); /* gives the command back */
    pw_reply reply;
    pw_tries tries; /* the shard's */
};

struct pw_live {
    struct pw_slot *slot;
    struct pw_live *newer, *older; /* in the list of idle ones */
    struct pw_live *retry_next;
    uint64_t retry_ns; /* 0: not in the list of those to be tried again */
    uint32_t tries;    /* failures in a row */
    pw_program *program;
    pw_arena arena;    /* the state, and what was decided and not yet compacted */
    size_t compact_at; /* bytes */
    pw_state *state;   /* NULL: not loaded, or not yet there */
    pw_status status;
    uint64_t token;
    pw_str correlation, trace;
    int64_t created_ms, last_ms;
    int64_t timer_at;    /* PW_WAKE_NEVER: none */
    bool drive;          /* PW_EVENT_DRIVE is to be sent */
    bool plan;           /* PW_EVENT_PLAN: rows of its compensation plan are asked for */
    bool check_calls;    /* look for committed calls that are not in flight */
    bool check_work;     /* ... for attempts of activities */
    bool wants_function; /* an attempt is a job for workers: its function is not registered here */
    bool idle;           /* in the list of idle ones */
    bool busy;           /* counted by the shard */
    bool committing;     /* `commit` is the committer's */
    bool load;           /* read it even if no event waits */
    bool gone;           /* it has ended long ago: only its log is there */
    bool drove;          /* the last event was a DRIVE or PLAN: others go first now */
    uint8_t turn;        /* which queue is asked first */
    pw_commit commit;
    pw_flight *flights;
    uint32_t flight_count, flight_size;
    uint32_t flight_skip; /* free places before the first: what ends is mostly the oldest */
    pw_command *commands, **last_command;
    pw_http_call *calls, **last_call; /* answers that wait to be decided */
    pw_job *jobs, **last_job;
    pw_ticket *tickets, **last_ticket; /* wishes of the board */
    bool hear;           /* deliveries may wait for it */
    bool skipped;        /* ... and may be taken when the state has moved on */
    pw_hearing *hearing; /* NULL: it has had nothing to do with messages */
    pw_watch *watches;
    pawl_watch *watchers; /* of its slot */
    pawl_error trouble; /* code PAWL_OK: none. Why it does not move although it should */
};

pw_live *pw_live_new(struct pw_slot *slot); /* NULL: out of memory */
void pw_live_free(pw_live *live);           /* nothing may be in flight or waiting */
pw_str pw_live_id(const pw_live *live);
/* It has ended, and no incident is open that could bring it back. */
bool pw_live_over(const pw_live *live);
/* Nothing begins: it is suspended, or has faulted, or is over. What comes is decided, and kept. */
bool pw_live_asleep(const pw_live *live);
/* The same of what a step makes of it. */
bool pw_transition_over(const pw_transition *t);
bool pw_transition_asleep(const pw_transition *t);
/* Reads the row and makes the state. Drops what was in memory before. */
PAWL_CHECK pawl_code pw_live_load(pw_live *live, pw_store *store, pw_programs *programs,
                                  const pw_core_settings *settings, pawl_error *err);
/* What is said where the definition of an instance is missing, as `code`. */
pawl_code pw_live_undefined(const pw_instance_row *row, pawl_code code, pawl_error *err);
/* Forgets the state: the next event loads it again. */
void pw_live_forget(pw_live *live);
/* Copies the state to a fresh arena if the old one has grown. Without memory: stays as it is. */
void pw_live_compact(pw_live *live);

PAWL_CHECK pawl_code pw_live_reserve_flights(pw_live *live, size_t more, pawl_error *err);
void pw_live_add_flight(pw_live *live, pw_flight flight); /* reserved before */
pw_flight *pw_live_find_flight(pw_live *live, uint64_t visit, uint32_t attempt);
void pw_live_remove_flight(pw_live *live, pw_flight *flight);
#endif
