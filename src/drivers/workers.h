/* workers.h - the board: jobs that wait for workers outside, and workers that wait for jobs.
 *
 * A ticket stands for one attempt of a task that the committed state wants: whose it is, what
 * function it calls, how urgent it is; not its input, which is asked of the instance's owner when
 * somebody wants it. A plain object under one lock: it has no thread and no clock. What it wants of
 * others it says through hooks, which are called without the lock. */
#ifndef PW_WORKERS_H
#define PW_WORKERS_H

#include <pthread.h>
#include "core/core.h"

#define PW_BOARD_TABLES 64u /* tickets can be dropped by table: one for each partition */
#define PW_INSTANCE_ID_LENGTH 26u
#define PW_POLL_FUNCTIONS_MAX 100u
#define PW_POLL_NAMESPACES_MAX 100u
#define PW_POLL_JOBS_MAX 100u
#define PW_POLL_BYTES_MAX (32u << 20) /* of jobs in one answer, but for the first */
#define PW_BOARD_NEVER UINT64_MAX

typedef struct pw_board pw_board;

typedef struct pw_board_timer { /* in the board's heap, or not */
    uint64_t due_ns;
    uint32_t at; /* its place, from 1; 0: not there */
    uint32_t kind;
} pw_board_timer;

/* ------------------------------------------------------------------ tickets: for the instance's
 * owner */

/* What the board wants of the owner of a ticket. It is asked one thing at a time. */
typedef enum pw_wish {
    PW_WISH_GIVE,  /* a poll wants it: pw_board_give(), or pw_board_refuse() */
    PW_WISH_RENEW, /* the same, but somebody may be at this attempt: it is lost, and the next one is
                      to be put */
    PW_WISH_LOST,  /* its lease is over: it is lost, and the next one is to be put */
    PW_WISH_TIMED_OUT, /* its time is over: it has failed */
} pw_wish;

typedef struct pw_ticket {
    pw_board_timer timer;   /* first. The board's, as all that is not said to be the owner's */
    struct pw_ticket *next; /* the owner's, from on_wish until it has dealt with the wish */
    uint64_t visit;         /* never changed, as attempt and instance */
    uint32_t attempt;
    uint8_t wish; /* pw_wish; not changed while it is with the owner */
    uint8_t table, state;
    bool unsure; /* another process may have handed this attempt out */
    char instance[PW_INSTANCE_ID_LENGTH];
    bool with_owner; /* a wish is not dealt with */
    bool gone;       /* taken off meanwhile: freed when the owner gives it back */
    int64_t since_ms;
    struct pw_ticket *chain;           /* in its table */
    struct pw_ticket *before, *behind; /* in its level, or of what its poll has taken */
    struct pw_level *level;
    struct pw_name *task;
    union {
        struct pw_poll *poll;   /* taken; NULL: it has gone */
        struct pw_lease *lease; /* leased, or ending */
    } by;
} pw_ticket;

typedef struct pw_ticket_about {
    pw_str instance; /* PW_INSTANCE_ID_LENGTH bytes */
    uint32_t table;  /* its partition */
    uint64_t visit;
    uint32_t attempt;
    pw_str function, namespace_, task;
    int32_t priority; /* higher goes first */
    int64_t since_ms;
} pw_ticket_about;

typedef enum pw_put {
    PW_PUT_FRESH,  /* never handed out */
    PW_PUT_UNSURE, /* perhaps by another process: not handed out before delay_ms, and then only
                      renewed */
    PW_PUT_PARKED, /* not before pw_board_unpark() */
} pw_put;

/* All that pw_board_put() needs, so that it cannot fail. NULL: out of memory. */
pw_ticket *pw_ticket_new(pw_board *board, const pw_ticket_about *about);
void pw_ticket_free(pw_board *board, pw_ticket *ticket); /* one that was not put; NULL is fine */
/* It takes the place of an attempt of the same visit, and its poll, if that was renewed. */
void pw_board_put(pw_board *board, pw_ticket *ticket, pw_put how, uint64_t delay_ms); /* of UNSURE */
/* Nobody wants it any more. attempt 0: any. */
void pw_board_take_off(pw_board *board, pw_str instance, uint32_t table, uint64_t visit,
                       uint32_t attempt);
/* All of the tables in the mask: their instances are another's. */
void pw_board_drop(pw_board *board, uint64_t tables);

typedef enum pw_there {
    PW_THERE_NOT,
    PW_THERE_WAITS,  /* nobody is at this attempt */
    PW_THERE_UNSURE, /* nobody is known to be at it */
    PW_THERE_TAKEN,  /* somebody is, or will be soon */
} pw_there;
pw_there pw_board_look(pw_board *board, pw_str instance, uint32_t table, uint64_t visit,
                       uint32_t attempt);
/* How long its worker has had this attempt. False: nobody has, or another process has handed it out. out: its function,
 * of which there is no room for more than `size` bytes. */
bool pw_board_held(pw_board *board, pw_str instance, uint32_t table, uint64_t visit,
                   uint32_t attempt, char *out, size_t size, size_t *length, uint64_t *held_ns);
void pw_board_unpark(pw_board *board, pw_str instance, uint32_t table, uint64_t visit);

/* The answer to PW_WISH_GIVE: the job as JSON text, which is the board's from here on, and how long
 * the attempt may take from now. The ticket is the board's again. */
bool pw_board_give(pw_board *board, pw_ticket *ticket, char *job, size_t length,
                   uint64_t timeout_ms);
typedef enum pw_refusal {
    PW_REFUSE_GONE,   /* nobody wants it */
    PW_REFUSE_PARKED, /* not as long as its instance is suspended */
    PW_REFUSE_LATER,  /* it cannot be had now */
} pw_refusal;
void pw_board_refuse(pw_board *board, pw_ticket *ticket, pw_refusal why);
/* The wish was carried out: the ticket is over. What came of it was put before. */
void pw_board_done(pw_board *board, pw_ticket *ticket);

/* ------------------------------------------------------------------ polls: for anybody */

typedef struct pw_given { /* a job in the hands of a poll */
    struct pw_given *next;
    char *job; /* JSON object */
    size_t length;
    char instance[PW_INSTANCE_ID_LENGTH];
    uint8_t table;
    uint64_t visit;
    uint32_t attempt;
    uint64_t lease_ns, deadline_ns; /* when they end, by the board's clock */
} pw_given;

typedef struct pw_wait_node pw_wait_node;

typedef struct pw_poll {
    pw_board_timer timer; /* first. The board's, as all that is not said to be another's */
    void *owner;          /* the owner's */
    pw_given *given;      /* in the order in which they were handed out; for on_poll */
    bool stopped;         /* for on_poll: the board was stopped */
    struct pw_poll *next; /* to be told */
    struct pw_given **last_given;
    uint64_t number; /* later ones have higher ones */
    uint32_t state;
    uint32_t max, pending, given_count, node_count;
    size_t bytes;
    uint64_t lease_ms, wait_ns; /* until when it waits */
    struct pw_name *worker;
    pw_ticket *taken; /* tickets that were asked for */
    pw_wait_node *nodes;
} pw_poll;

typedef struct pw_poll_about {
    const pw_str *functions;
    size_t function_count;
    const pw_str *namespaces; /* NULL: any */
    size_t namespace_count;
    uint32_t max;
    uint64_t wait_ms, lease_ms;
    pw_str worker;
} pw_poll_about;

/* on_poll comes once for it, unless it is closed before. */
PAWL_CHECK pawl_code pw_poll_open(pw_poll *poll, pw_board *board, const pw_poll_about *about,
                                  pawl_error *err);
/* False: on_poll has been called, or is being called: it is no poll of the board's any more. */
bool pw_poll_withdraw(pw_board *board, pw_poll *poll);
/* After on_poll: nobody took the jobs; they go back as they were. */
void pw_poll_return(pw_board *board, pw_poll *poll);
void pw_poll_done(pw_board *board,
                  pw_poll *poll); /* frees what it holds; after on_poll or pw_poll_withdraw() */

typedef enum pw_beat {
    PW_BEAT_GOOD,
    PW_BEAT_OVER,    /* this attempt is nobody's any more */
    PW_BEAT_UNKNOWN, /* the board has no such task: it may be over, or not read yet */
} pw_beat;
typedef struct pw_beat_about {
    uint64_t lease_ms;         /* 0: as at the hand-out */
    uint64_t default_lease_ms; /* of an attempt that another process handed out */
    uint64_t timeout_ms;       /* ... whose deadline is so far from now */
    pw_str progress;           /* JSON for people; empty: none */
} pw_beat_about;
/* The lease ends lease_ms from now, not behind the deadline. An attempt that another process handed
 * out is known to be in good hands from here on. *left_ms: of the lease. */
PAWL_CHECK pawl_code pw_board_beat(pw_board *board, pw_str instance, uint32_t table, uint64_t visit,
                                   uint32_t attempt, const pw_beat_about *about, pw_beat *out,
                                   uint64_t *left_ms, pawl_error *err);

/* at_once 0, per_second 0: no limit. function empty: for those that have none of their own. */
PAWL_CHECK pawl_code pw_board_limit(pw_board *board, pw_str function, uint32_t at_once,
                                    double per_second, pawl_error *err);

/* ------------------------------------------------------------------ looking */

typedef struct pw_function_row {
    pw_str name; /* in the arena */
    uint64_t ready, leased, unsure, parked, polls;
    uint32_t at_once;
    double per_second;
} pw_function_row;
/* In order of names; those of one name, or of all (empty). */
PAWL_CHECK pawl_code pw_board_functions(pw_board *board, pw_str name, pw_function_row **out,
                                        size_t *count, pw_arena *arena, pawl_error *err);

typedef struct pw_ticket_row {
    pw_str instance, function, namespace_, task, worker, progress; /* in the arena; empty: none */
    uint64_t visit;
    uint32_t attempt;
    int32_t priority;
    const char *state; /* "ready", "leased", "unsure", "parked" */
    int64_t since_ms;
    bool leased;
    uint64_t left_ms; /* leased: of the lease ... */
    uint64_t over_ms; /* ... or for how long it is over, and did not end */
    uint64_t cursor;
    uint32_t table;
} pw_ticket_row;
typedef struct pw_ticket_filter {
    pw_str function, instance; /* empty: any */
    uint32_t instance_table;
    const pw_str *namespaces; /* NULL: any */
    size_t namespace_count;
    uint32_t table; /* behind the ticket with these two; 0, 0: from the first */
    uint64_t cursor;
    uint32_t limit;
} pw_ticket_filter;
/* Each ticket that is there all the while once, whatever comes and goes. *more: there are others.
 */
PAWL_CHECK pawl_code pw_board_tickets(pw_board *board, const pw_ticket_filter *filter,
                                      pw_ticket_row **out, size_t *count, bool *more,
                                      pw_arena *arena, pawl_error *err);
/* One. False: it is not there. */
bool pw_board_ticket(pw_board *board, pw_str instance, uint32_t table, uint64_t visit,
                     pw_ticket_row *out, pw_arena *arena);
/* Somebody polls for the function, has done so a short while ago, or is at a job of it. */
bool pw_board_has_worker(pw_board *board, pw_str function);

/* ------------------------------------------------------------------ the board */

typedef struct pw_board_hooks {
    void *context;
    uint64_t (*now_ns)(void *context); /* monotonic */
    /* To the owner of the ticket's instance. It must not call the board. */
    void (*on_wish)(void *context, pw_ticket *ticket);
    /* The poll has jobs, or its time is over. */
    void (*on_poll)(void *context, pw_poll *poll);
    /* pw_board_work() is to be called earlier than it said. */
    void (*on_sooner)(void *context);
} pw_board_hooks;

PAWL_CHECK pawl_code pw_board_new(pw_board **out, const pw_board_hooks *hooks, pawl_error *err);
/* Does what is due; when to call it again (now_ns), PW_BOARD_NEVER: not before on_sooner. */
uint64_t pw_board_work(pw_board *board);
/* Nothing is handed out any more; every poll is told. */
void pw_board_stop(pw_board *board);
/* No poll is open, and no wish is with an owner. NULL is fine. */
void pw_board_free(pw_board *board);
size_t pw_board_ticket_size(
    void); /* bytes of memory for each that waits, but for its place in the table */
#endif
