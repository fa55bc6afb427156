/* router.h - messages: puts what is published, finds who listens, gives kept ones to who listens
 * later. A plain object driven by its own thread, which alone routes for this node; it waits for the
 * store only, never for a shard. */
#ifndef PW_ROUTER_H
#define PW_ROUTER_H

#include "engine/mailbox.h"
#include "store/store.h"

#define PW_PUBLISH_MAX 1000u           /* messages of one publication */
#define PW_MESSAGE_TTL_MS 86400000     /* 24 hours */

typedef struct pw_router pw_router;

/* What an instance wants of the router, and what the router tells an instance. It goes to the router
 * (or begins there), and comes to the shard of its instance when it is done: deliveries may have
 * come. Done in this order: what is given back is given back and routed again, then kept messages
 * are claimed for the subscriptions. */
typedef struct pw_errand {
    pw_message message;     /* ERRAND */
    struct pw_errand *next; /* in the router's queue, or a list of what is not sent */
    struct pw_errand *sibling; /* the instance's: what else is under way */
    pw_arena arena;         /* of what it points to */
    pw_str instance;
    uint64_t visit;         /* of the subscriptions */
    pw_subscription *subscriptions; /* each is to get the oldest kept message: visit, ordinal, matcher.digest, hash */
    size_t subscription_count;
    pw_delivery_back *back;
    size_t back_count;
    bool given;             /* the router's: that is done */
    uint32_t claimed;       /* out: messages */
    bool came_back;         /* out: the instance got something by what was routed meanwhile */
    bool bounced;           /* out: closing, it was not done */
    pw_reply *reply;        /* given when the shard has dealt with it, which then is not freed; NULL: freed */
} pw_errand;
pw_errand *pw_errand_new(pw_str instance); /* NULL: out of memory */
void pw_errand_free(pw_errand *errand);

/* A caller's messages; on its stack. */
typedef struct pw_publication {
    struct pw_publication *next;
    pw_message_row *rows;   /* in order; `existed`, `number` and `state` are given back */
    uint32_t *deliveries;   /* of each: made by this */
    size_t count;
    bool put, unsure;       /* the router's: they are stored; a put of unknown outcome was tried */
    pawl_code code;
    pawl_error error;
    pw_reply reply;
} pw_publication;

PAWL_CHECK pawl_code pw_router_new(pw_router **out, pawl *p, const pw_expr_limits *limits,
                                   pawl_error *err);
void pw_router_free(pw_router *router);
/* One round; false: stop, and nothing is queued any more. Waits for something to do if `wait`. */
bool pw_router_work(pw_router *router, bool wait);
void pw_router_stop(pw_router *router);

/* ---- for any thread */

/* Answered by its reply: once all are stored and routed, or certainly (or perhaps) not stored. */
void pw_router_publish(pw_router *router, pw_publication *publication);
/* Cannot fail. After a stop it comes back at once, bounced. */
void pw_router_errand(pw_router *router, pw_errand *errand);
/* Routes what is NEW in the store, and, for subscriptions of these partitions, claims what is kept
 * for them; waits until a round that began after this call has ended. False: not all was done. */
PAWL_CHECK bool pw_router_look(pw_router *router, uint64_t partitions);
#endif
