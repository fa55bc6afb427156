/* background.h - a thread that goes round: whenever it is woken, and at least once in an interval. What its rounds came to is
 * in its service (watch/service.h). A round that fails is followed by the next after 1, 2, 4 ... 60 s, never later
 * than the interval. */
#ifndef PW_BACKGROUND_H
#define PW_BACKGROUND_H

#include "engine/sync.h"
#include "watch/service.h"

typedef struct pw_background pw_background;

typedef struct pw_round { /* what one came to */
    uint64_t items, failed; /* that it has worked on; of these failed */
    uint64_t next_ms;       /* the next one is wanted after that; as it comes in: the interval. 0: at once */
} pw_round;

typedef struct pw_background_options {
    const char *thread;     /* its name, up to 15 bytes */
    pw_service *service;    /* lives as long as it; is told the interval */
    uint64_t interval_ms;   /* 0: only when woken */
    bool at_start;          /* a round begins at once */
    uint64_t first_ms;      /* the first one begins after that; 0: after the interval */
    void *context;
    pawl_code (*round)(void *context, pw_round *out, pawl_error *err);
    void (*ended)(void *context); /* behind a round, when the service knows of it; NULL: nobody asks */
    int64_t (*now_ms)(void *context); /* for the service */
} pw_background_options;

PAWL_CHECK pawl_code pw_background_start(pw_background **out, const pw_background_options *options, pawl_error *err);
void pw_background_wake(pw_background *background); /* there is something to do. Any thread; NULL is fine */
/* For a round that takes long: has it been told to stop? NULL: no. */
bool pw_background_stopping(pw_background *background);
/* Until a whole round that began after this call has ended. PAWL_TIMEOUT; PAWL_BUSY: stopping. */
PAWL_CHECK pawl_code pw_background_wait(pw_background *background, uint64_t deadline_ns, pawl_error *err);
void pw_background_stop(pw_background *background); /* tells it; does not wait */
void pw_background_free(pw_background *background); /* stops it, and waits for its round to end. NULL is fine */
#endif
