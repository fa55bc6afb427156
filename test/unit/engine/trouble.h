/* trouble.h - what the suites about failures share: an engine whose clock stands until a test moves it, a service on
 * loopback, a function that fails as it is told, and questions to the log and the rows of an instance. */
#ifndef PW_ENGINE_TROUBLE_H
#define PW_ENGINE_TROUBLE_H

#include "fixture.h"
#include "http/service.h"

#define TIME0 1800000000000 /* 2027-01-15T08:00:00.000Z */

typedef struct trouble {
    fixture f;
    service *s;
    pawl_resilience resilience; /* the defaults, but nobody is told of as long-running; read by trouble_open */
    pawl_activity_options activities[4]; /* those of the fixture, and `work` */
    pthread_mutex_t lock; /* guards the rest */
    const int *statuses;  /* the nth run of `work` fails with the nth; 0, or behind the last: it ends well */
    size_t status_count;
    bool final;           /* and says that no attempt can help */
    uint64_t retry_after_ms;
    unsigned runs;
    char keys[16][64]; /* of the first runs */
    unsigned attempts[16];
} trouble;

/* `store` NULL: a file. The clock stands at TIME0; trouble_clock 0: it is the system's. */
void trouble_init(trouble *t, const char *store);
void trouble_open(trouble *t);
void trouble_again(trouble *t); /* closes it, in the middle of whatever it does, and opens it again */
void trouble_done(trouble *t);
unsigned trouble_runs(trouble *t); /* of `work` */

/* Deploys test/NAME: POST {n: 1} to the service's path; `resilience` (flow YAML) NULL: as configured. */
void deploy_call(trouble *t, const char *name, const char *path, const char *resilience);
void deploy_call_to(trouble *t, const char *name, const char *url, const char *resilience);
void deploy_work(trouble *t, const char *name, const char *resilience); /* call: work */
/* The whole document below `document:`. */
void deploy_text(trouble *t, const char *name, const char *text);

/* Until nothing is to be done before its next timer. */
void idle(trouble *t, const char *id);
int64_t wake_at(trouble *t, const char *id); /* of its row */
void forward(trouble *t, uint64_t ms);       /* the clock */
/* Moves the clock to when the instance wakes, and waits until nothing is to be done again. */
void go_on(trouble *t, const char *id);
/* go_on, until it has ended, or no time can move it; how often. */
unsigned drive(trouble *t, const char *id);

/* What jq says of the log, of pawl_show, pawl_calls, pawl_incidents (all of the instance). */
#define EXPECT_LOG(t, id, expression, expected) EXPECT_TEXT(ask_log((t), (id), (expression)), (expected))
#define EXPECT_SHOW(t, id, expression, expected) EXPECT_TEXT(ask_show((t), (id), (expression)), (expected))
#define EXPECT_CALLS(t, id, expression, expected) EXPECT_TEXT(ask_calls((t), (id), (expression)), (expected))
#define EXPECT_INCIDENTS(t, id, expression, expected) EXPECT_TEXT(ask_incidents((t), (id), (expression)), (expected))
const char *ask_log(trouble *t, const char *id, const char *expression);
const char *ask_show(trouble *t, const char *id, const char *expression);
const char *ask_calls(trouble *t, const char *id, const char *expression);
const char *ask_incidents(trouble *t, const char *id, const char *expression);
/* The same of what is not of one instance: `none` is NULL. */
const char *ask_breakers(trouble *t, const char *none, const char *expression); /* pawl_breakers, all */
const char *ask_count(trouble *t, const char *none, const char *expression);    /* pawl_count */
const char *ask_in_flight(trouble *t, const char *none, const char *expression); /* calls that the driver has */
#define EXPECT_BREAKERS(t, expression, expected) EXPECT_TEXT(ask_breakers((t), NULL, (expression)), (expected))
/* Asks until it is so: for what happens on another thread, and tells nobody. */
void until_same(trouble *t, const char *(*ask_it)(trouble *, const char *, const char *), const char *id,
                const char *expression, const char *expected);
void until_breakers(trouble *t, const char *expression, const char *expected);
/* Fault rows of the instance: "KIND CLASS ATTEMPTS DECISION open|RESOLUTION", one a line. */
const char *faults(trouble *t, const char *id);
/* The recommended action of its newest fault row; valid until the next call. */
const char *action(trouble *t, const char *id);

/* In jq, of a log: the entries of attempts that failed; the entry of the last fault. */
#define FAILED "[.steps[].entries[] | select(.type == \"attempt.failed\")]"
#define FAULT "[.steps[].entries[] | select(has(\"requiresManualIntervention\") and .type != \"attempt.failed\")] | last"

/* A request's header, copied: a service's texts are many. */
const char *key_of(trouble *t, unsigned request);
/* What SQL says of the store's file, by a connection of its own that only reads: the first column of the first row. */
const char *ask_file(trouble *t, const char *sql);
#endif
