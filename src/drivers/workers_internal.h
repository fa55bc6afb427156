/* workers_internal.h - what the board is made of, for workers.c, which changes it, and
 * workers_look.c, which does not. */
#ifndef PW_WORKERS_INTERNAL_H
#define PW_WORKERS_INTERNAL_H

#include "drivers/workers.h"

enum { FIRST_BUCKETS = 16, FUNCTION_BUCKETS = 256, NAME_BUCKETS = 256 };

typedef enum ticket_state {
    TICKET_NEW,     /* not put */
    TICKET_READY,   /* in its level */
    TICKET_DELAYED, /* until its timer; then ready */
    TICKET_UNSURE,  /* the same */
    TICKET_PARKED,
    TICKET_TAKEN,  /* a poll wants it: the owner is asked */
    TICKET_LEASED, /* until its timer: lease or deadline */
    TICKET_ENDING, /* that is over: the owner is told */
    TICKET_STATES
} ticket_state;

enum { TIMER_TICKET, TIMER_POLL, TIMER_FUNCTION };

typedef enum poll_state { POLL_WAITING, POLL_FILLING, POLL_OVER } poll_state;

typedef struct pw_name { /* text that many tickets share */
    struct pw_name *next;
    uint32_t refs;
    pw_str text; /* behind it */
} pw_name;

typedef struct pw_lease {
    pw_name *worker;
    uint64_t poll; /* its number; 0: taken up by a heartbeat */
    uint64_t lease_ms, deadline_ns;
    char *progress; /* NULL: none */
    size_t progress_length;
} pw_lease;

struct pw_wait_node { /* a poll, at one of the places where it waits */
    pw_wait_node *before, *behind;
    pw_poll *poll;
    struct function *function;
    struct lane *lane; /* NULL: any of the function */
    bool queued;
};

typedef struct wait_line {
    pw_wait_node *first, *last;
} wait_line;

typedef struct pw_level { /* what is ready of one priority; first come, first served */
    struct pw_level *lower;
    struct lane *lane;
    int32_t priority;
    uint32_t refs; /* tickets */
    pw_ticket *first, *last;
} pw_level;

typedef struct lane { /* jobs of one function and namespace */
    struct lane *next;
    struct function *function;
    pw_name *namespace_;
    pw_level *levels; /* highest first */
    uint32_t refs;    /* levels and wait nodes */
    wait_line line;
} lane;

typedef struct limit {
    uint32_t at_once;  /* 0: none */
    double per_second; /* 0: none */
} limit;

typedef struct function {
    pw_board_timer timer; /* first: when the next may be handed out */
    struct function *next;
    pw_name *name;
    lane *lanes;
    uint32_t refs; /* lanes, wait nodes, its own limit */
    bool limited;  /* by a limit of its own */
    limit limit;
    double tokens; /* of the bucket, at filled_ns */
    uint64_t filled_ns;
    uint64_t polled_ns; /* when it was polled for last */
    uint32_t polls;     /* that wait for it */
    uint64_t counts[TICKET_STATES];
    wait_line line;
} function;

typedef struct ticket_table {
    pw_ticket **buckets;
    size_t bucket_count; /* a power of 2 */
    size_t count;
    pw_ticket *first[FIRST_BUCKETS];
} ticket_table;

struct pw_board {
    pw_board_hooks hooks;
    pthread_mutex_t lock; /* of all that follows */
    bool stopped;
    ticket_table tables[PW_BOARD_TABLES];
    function *functions[FUNCTION_BUCKETS];
    pw_name *names[NAME_BUCKETS];
    limit common; /* of functions without their own */
    pw_board_timer **heap;
    uint32_t heap_count, heap_size;
    uint32_t timers;                /* that may have to be in the heap; it has room for all */
    uint64_t announced_ns;          /* pw_board_work() is called then */
    uint64_t polls;                 /* opened so far */
    pw_ticket *wishes, **last_wish; /* to be told to their owners */
    pw_poll *told, **last_told;     /* to be told that they are over */
};

/* Its place among those of its table; of the instance and visit. */
uint64_t pw_board_hash(pw_str instance, uint64_t visit);
function *pw_board_function(pw_board *board, pw_str name); /* NULL: there is none */
pw_ticket *pw_board_find(const pw_board *board, pw_str instance, uint32_t table, uint64_t visit);
#endif
