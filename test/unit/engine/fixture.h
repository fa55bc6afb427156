/* fixture.h - what the engine's tests share: an engine on a store of their own, a clock that they
 * move, functions that wait until a test lets them go. A test that waits longer than 30 s for
 * something fails. */
#ifndef PW_ENGINE_FIXTURE_H
#define PW_ENGINE_FIXTURE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "options.h"
#include "test.h"
#include "base/json.h"
#include "engine/engine.h"

#define WAIT_MS 30000u

/* A function that waits: `entered` counts its runs, release lets them go. */
typedef struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned entered, left, permits;
    char keys[16][64]; /* of the first runs */
    unsigned attempts[16];
} gate;

void gate_init(gate *g);
void gate_done(gate *g);
void gate_open(gate *g, unsigned permits);      /* UINT_MAX: for all, for ever */
void gate_wait_entered(gate *g, unsigned runs); /* until so many have begun in all */
unsigned gate_entered(gate *g);
/* Ends with {"key":..., "attempt":n} once there is a permit; cancelled: fails. */
pawl_code gate_run(pawl_activity *activity, const char *input, void *context);
/* Ends at once with its input. */
pawl_code echo_run(pawl_activity *activity, const char *input, void *context);
/* Ends at once with an error of status 422. */
pawl_code failing_run(pawl_activity *activity, const char *input, void *context);

typedef struct fixture {
    pawl *p;
    char store[512];
    gate gate;
    atomic_ullong now_ms; /* 0: the system clock */
    pawl_options options;
    pawl_activity_options activities[3]; /* gate, echo, failing */
    pawl_error err;
} fixture;

/* "memory:" or a file of the test's directory. */
void fixture_init(fixture *f, const char *store);
void fixture_open(fixture *f); /* with f->options */
void fixture_close(fixture *f);
void fixture_done(fixture *f);
void fixture_clock(fixture *f, uint64_t now_ms); /* sets it, and tells an open engine */

/* Deploys `body` as the `do` of the workflow test/NAME, version 1.0.0. */
void deploy(fixture *f, const char *name, const char *body);
char *start(fixture *f, const char *name, const char *input); /* the id, to pawl_free */
char *start_key(fixture *f, const char *name, const char *key, const char *input, int *existed);
/* Waits until it has ended; what pawl_show gives. */
char *finish(fixture *f, const char *id);
char *show(fixture *f, const char *id);
char *steps(fixture *f, const char *id);
/* What jq says of a JSON text, as text valid until the next call; the test fails if it fails. */
const char *ask(const char *json, const char *expression);
#define EXPECT_ASK(json, expression, expected) EXPECT_TEXT(ask((json), (expression)), (expected))

/* Runs `run` on `count` threads at once, which start together, and joins them. */
typedef struct crew {
    unsigned count;
    pthread_barrier_t barrier;
    void (*run)(void *context, unsigned number);
    void *context;
} crew;
void crew_run(unsigned count, void (*run)(void *context, unsigned number), void *context);
#endif
