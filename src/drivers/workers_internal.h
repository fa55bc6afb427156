/* workers_internal.h - what the board is made of, for workers.c, which changes it, and
 * workers_look.c, which does not. */
#ifndef PW_WORKERS_INTERNAL_H
#define PW_WORKERS_INTERNAL_H

#include "drivers/workers.h"
#include "policy/breaker.h"

enum { FIRST_BUCKETS = 16, FUNCTION_BUCKETS = 256, NAME_BUCKETS = 256 };

typedef enum ticket_state {
    TICKET_NEW,     /* not put */
    TICKET_READY,   /* in its level */
    TICKET_LATER,   /* its owner could not give it: ready again at its timer */
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
    uint64_t begun_ns; /* when it was handed out; 0: by another process */
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
    pw_rate rate; /* against limit.per_second */
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
    bool held; /* nothing is handed out while this is set, under one holding of the lock */
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

/* ---- small questions */

#define PW_BOARD_MS 1000000ull

static inline uint64_t after_ms(uint64_t now_ns, uint64_t ms)
{
    bool never = ms > (PW_BOARD_NEVER - 1 - now_ns) / PW_BOARD_MS;
    return never ? PW_BOARD_NEVER - 1 : now_ns + ms * PW_BOARD_MS;
}

static inline uint64_t now_of(const pw_board *b)
{
    return b->hooks.now_ns(b->hooks.context);
}

static inline int64_t ms_of(uint64_t now_ns)
{
    return (int64_t)(now_ns / PW_BOARD_MS);
}

static inline pw_str instance_of(const pw_ticket *t)
{
    return (pw_str){ t->instance, sizeof t->instance };
}

static inline const limit *limit_of(const pw_board *b, const function *f)
{
    return f->limited ? &f->limit : &b->common;
}

static inline uint64_t busy_of(const function *f)
{
    return f->counts[TICKET_TAKEN] + f->counts[TICKET_LEASED] + f->counts[TICKET_ENDING];
}

/* ---- lists: items are linked by before and behind */

#define LIST_ADD(first_, last_, item)                                                              \
    do {                                                                                           \
        (item)->before = (last_);                                                                  \
        (item)->behind = NULL;                                                                     \
        *((item)->before ? &(item)->before->behind : &(first_)) = (item);                          \
        (last_) = (item);                                                                          \
    } while (0)

#define LIST_PUSH(first_, last_, item)                                                             \
    do {                                                                                           \
        (item)->behind = (first_);                                                                 \
        (item)->before = NULL;                                                                     \
        *((item)->behind ? &(item)->behind->before : &(last_)) = (item);                           \
        (first_) = (item);                                                                         \
    } while (0)

#define LIST_REMOVE(first_, last_, item)                                                           \
    do {                                                                                           \
        *((item)->before ? &(item)->before->behind : &(first_)) = (item)->behind;                  \
        *((item)->behind ? &(item)->behind->before : &(last_)) = (item)->before;                   \
        (item)->before = (item)->behind = NULL;                                                    \
    } while (0)

/* ---- workers_parts.c: timers, names, places, tables. All under the lock */

void pw_board_timer_stop(pw_board *b, pw_board_timer *timer);
void pw_board_timer_set(pw_board *b, pw_board_timer *timer,
                        uint64_t due_ns); /* there is room for it */
bool pw_board_timer_reserve(pw_board *b); /* room in the heap for one more; false: out of memory */
/* Counted: what is got is to be put. NULL: out of memory. */
pw_name *pw_board_name_get(pw_board *b, pw_str text);
void pw_board_name_put(pw_board *b, pw_name *name);
function *pw_board_function_get(pw_board *b, pw_str name);
void pw_board_function_put(pw_board *b, function *f);
function *pw_board_function(pw_board *b, pw_str name); /* not counted; NULL: there is none */
lane *pw_board_lane_get(pw_board *b, pw_str function_name, pw_str namespace_);
void pw_board_lane_put(pw_board *b, lane *l);
pw_level *pw_board_level_get(pw_board *b, pw_str function_name, pw_str namespace_,
                             int32_t priority);
void pw_board_level_put(pw_board *b, pw_level *level);
uint64_t pw_board_hash(pw_str instance, uint64_t visit); /* the place in a table */
pw_ticket *pw_board_find(const pw_board *b, pw_str instance, uint32_t table, uint64_t visit);
void pw_board_table_add(pw_board *b, pw_ticket *t);
void pw_board_table_remove(pw_board *b, pw_ticket *t);

/* ---- workers_match.c: tickets move, and polls get them. All under the lock */

bool pw_board_may_hand_out(pw_board *b, function *f, uint64_t now_ns); /* one more, as limits go */
void pw_board_arm(pw_board *b, function *f,
                  uint64_t now_ns); /* ... if not, and only time will help */
void pw_board_make_ready(pw_board *b, pw_ticket *t, bool first);
void pw_board_make_later(pw_board *b, pw_ticket *t, ticket_state state, uint64_t due_ns);
void pw_board_make_parked(pw_board *b, pw_ticket *t);
void pw_board_make_leased(pw_board *b, pw_ticket *t, pw_lease *lease, uint64_t end_ns);
void pw_board_make_ending(pw_board *b, pw_ticket *t, pw_wish what);
void pw_board_ticket_free(pw_board *b, pw_ticket *t);
void pw_board_remove_ticket(pw_board *b, pw_ticket *t); /* off the board */
void pw_board_line_up(pw_poll *poll, bool first);       /* it waits */
void pw_board_line_leave(pw_board *b, pw_poll *poll);
void pw_board_let_go(pw_poll *poll); /* of what it has asked for */
void pw_board_end_poll(pw_board *b, pw_poll *poll);
void pw_board_take(pw_board *b, pw_poll *poll, pw_ticket *t); /* its owner is asked for it */
/* It goes elsewhere than to the poll that took it, if that is still there: to be settled then. */
pw_poll *pw_board_untake(pw_ticket *t);
void pw_board_fill(pw_board *b, pw_poll *poll, uint64_t now_ns); /* as many as there are for it */
void pw_board_settle(pw_board *b,
                     pw_poll *poll); /* ends it or lets it wait, if nothing is outstanding */
void pw_board_serve(pw_board *b,
                    function *f); /* something became ready, or may be handed out again */
#endif
