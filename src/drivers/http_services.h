/* http_services.h - the services that are called: whose calls wait, which may go now, and when to look again.
 *
 * Plain data under the driver's lock; nothing here calls out or waits. The driver's thread asks pw_http_services_step() what is to be
 * done until there is nothing, and does it without the lock. */
#ifndef PW_HTTP_SERVICES_H
#define PW_HTTP_SERVICES_H

#include "drivers/http_internal.h"

#define PW_HTTP_SERVICE_ASK_AGAIN_MS 10000 /* a wish for a probe that is not answered is wished again */
#define PW_HTTP_SERVICE_KEEP_MS 600000 /* so long a closed service that nobody calls is remembered ... */
#define PW_HTTP_SERVICE_KEEP_MOST 4096u /* ... if there are not more of them */

typedef struct pw_http_list {
    struct pw_http_lane *first, *last;
} pw_http_list;

typedef enum pw_hold {
    PW_HOLD_NONE,    /* by the limit of the driver, if by anything */
    PW_HOLD_PLACES,  /* as many as may are under way */
    PW_HOLD_BREAKER,
    PW_HOLD_RATE,
} pw_hold;

struct pw_http_lane {
    struct pw_http_lane *same; /* in its bucket */
    pw_str name;             /* behind the struct */
    pw_breaker breaker;
    pw_rate rate;
    uint64_t epoch;          /* of the newest record that we were told */
    pw_http_transfer *first, *last; /* wait to be sent */
    pw_http_transfer *hasty_first, *hasty_last; /* those of them that fail when it is open */
    uint32_t waiting, active;
    bool asked;              /* for the probe, and not told since */
    int64_t asked_ms;
    bool ours;               /* the next call is the probe, until ... */
    int64_t ours_until_ms;
    pw_hold hold;            /* why the first does not go */
    int64_t look_ms;         /* look again then; INT64_MAX: when something happens */
    size_t timer;            /* its place among the timers, from 1; 0: none */
    pw_http_list *list;   /* of the four below, or NULL */
    struct pw_http_lane *before, *behind;
    int64_t idle_ms;         /* since when it is in `idle` */
    uint64_t sent, failed, refused;
    char last_error[200];
};

typedef struct pw_http_table {
    pw_breaker_settings breaker;
    uint32_t at_once;
    uint32_t kept;           /* of the driver's places, for services with nothing under way */
    double per_second;
    bool stored;             /* somebody stores the breakers, and gives the probes */
    pw_http_lane **buckets;
    size_t bucket_count, count;
    pw_http_lane **timers;     /* a heap by look_ms; room for `count` */
    size_t timer_count, timer_room;
    int64_t last_ms;         /* of the last step */
    pw_http_list ready;   /* something has changed: to be looked at */
    pw_http_list able;    /* the first call may go, if the driver has room for it: services take turns */
    pw_http_list fresh;   /* the same, of services with nothing under way */
    pw_http_list idle;    /* closed and without calls, the longest first */
    size_t idle_count;
    pw_http_transfer *sent_first, *sent_last; /* and not ended, in the order in which they were sent */
} pw_http_table;

PAWL_CHECK pawl_code pw_http_services_open(pw_http_table *services, const pw_http_options *options, uint32_t in_flight,
                                          pawl_error *err);
void pw_http_services_close(pw_http_table *services); /* also a zeroed one; no call is in it any more */

/* NULL: out of memory. */
pw_http_lane *pw_http_services_get(pw_http_table *services, pw_str name);
pw_http_lane *pw_http_services_find(const pw_http_table *services, pw_str name); /* NULL: it is not known */

/* The call is the last in the queue of its service. */
void pw_http_services_join(pw_http_table *services, pw_http_lane *service, pw_http_transfer *transfer);
/* It does not wait any more: cancelled. */
void pw_http_services_leave(pw_http_table *services, pw_http_transfer *transfer, int64_t now_ms);

typedef enum pw_call_verdict {
    PW_VERDICT_NONE, /* tells nothing of the service: cancelled, or it was never asked */
    PW_VERDICT_GOOD,
    PW_VERDICT_BAD,
} pw_call_verdict;

/* One thing to be done. */
typedef struct pw_http_step {
    enum {
        PW_STEP_NONE,
        PW_STEP_SEND,   /* `transfer` has a place, and is to be sent */
        PW_STEP_REFUSE, /* `transfer` is out of the queue: it does not wait for a breaker */
        PW_STEP_WISH,   /* `want` is to be told to who stores it */
    } kind;
    pw_http_transfer *transfer;
    int64_t until_ms;   /* REFUSE: open for so long, as far as is known; -1 */
    pw_breaker_record want; /* its service is borrowed */
    char reason[300];
} pw_http_step;

/* `room`: so many more may be sent by the driver. */
void pw_http_services_step(pw_http_table *services, uint32_t room, int64_t now_ms, pw_http_step *step);
/* The next instant at which there may be something to do; INT64_MAX: none. */
int64_t pw_http_services_next(const pw_http_table *services);
/* A call that was sent has ended. What is to be told of it is in *step: NONE or WISH. */
void pw_http_services_ended(pw_http_table *services, pw_http_transfer *transfer, pw_call_verdict verdict, int64_t now_ms,
                       pw_http_step *step);
/* A record of the store. */
void pw_http_services_told(pw_http_table *services, pw_http_lane *service, const pw_breaker_record *record, bool ours,
                      int64_t now_ms);
/* Forgets what nobody needs. The driver's thread only: it alone keeps pointers to services without the lock. */
void pw_http_services_forget(pw_http_table *services, int64_t now_ms);
#endif
