/* hear.h - an instance's side of messages: its deliveries, read from the store page by page, are
 * decided one after the other; what it does not want goes back. Part of its shard. */
#ifndef PW_HEAR_H
#define PW_HEAR_H

#include "engine/router.h"

typedef struct pw_shard pw_shard;
typedef struct pw_live pw_live;

/* Of an instance that has had to do with messages since it is in memory. */
typedef struct pw_hearing {
    pw_arena arena; /* of the page; nothing in it goes while a step of the instance is uncommitted */
    pw_delivery_row *rows;
    size_t count, at;
    uint64_t after;      /* behind this number the next page begins */
    uint64_t seen;       /* up to here all that is left was skipped: what comes is behind it */
    bool scanning;       /* else the next look begins behind `seen` */
    bool last;           /* the page is the last */
    bool restart;        /* something older may have come: the page is old */
    uint32_t give_most;  /* deliveries given back at once: see hear.c */
    pw_errand *giving;   /* collects what is not wanted */
    pw_errand *sent;     /* with the router, or on their way back */
    pw_errand *fed;      /* whose last claim gave something: to be sent again when that is dealt with */
} pw_hearing;

void pw_hearing_free(pw_live *live);
/* The instance was read again, or is not this shard's any more. */
void pw_hear_forget(pw_live *live);
/* After a load: what waited for it is looked at. */
void pw_hear_loaded(pw_live *live);
/* Something is to be decided, or an errand is under way. */
bool pw_hear_waits(const pw_live *live);
/* The next delivery that is to be decided; NULL: none now, or (live->retry_ns) it could not be read. */
const pw_delivery_row *pw_hear_next(pw_shard *shard, pw_live *live);
/* The instance took it; after the commit. */
void pw_hear_taken(pw_live *live);
/* Nothing may be taken yet: something older is to be given back first. */
bool pw_hear_holds(const pw_live *live);
/* It did not: PAWL_BUSY: not now; PAWL_CONFLICT: something is to be given back first; else it is not
 * wanted. */
void pw_hear_refused(pw_shard *shard, pw_live *live, pawl_code why);
/* Errands of a transition: made before its commit, sent after it. */
PAWL_CHECK pawl_code pw_hear_prepare(pw_live *live, pawl_error *err);
void pw_hear_act(pw_shard *shard, pw_live *live);
/* A step was committed: what could not be taken may be now, or is not wanted any more. */
void pw_hear_moved(pw_live *live);
/* An errand has come back, or tells of deliveries. True: it was kept, else it is the caller's. */
bool pw_hear_returned(pw_shard *shard, pw_live *live, pw_errand *errand);
#endif
