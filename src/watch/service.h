/* service.h - how a background service is: when it last went round, what came of it, what is left. A service begins and ends
 * its rounds here; health, metrics and the auditor read it. */
#ifndef PW_SERVICE_H
#define PW_SERVICE_H

#include <pthread.h>
#include "base/base.h"

#define PW_SERVICE_ERROR_MAX 240

typedef struct pw_service_state {
    const char *name;      /* "outbox", "timers", "cleanup", "audit", "disk", "bulk", "messages", "schedules", "breakers", "recovery" */
    bool enabled;          /* false: switched off by its setting */
    bool working;          /* a round is under way */
    uint64_t interval_ms;  /* a round begins at least so often; 0: only when there is something to do */
    int64_t begun_ms, ended_ms; /* of the last round; -1: none yet */
    int64_t good_ms;       /* the last round that ended well; -1 */
    int64_t failed_ms;     /* the last that did not; -1 */
    uint64_t rounds, failed_rounds;
    uint64_t items, failed_items; /* that it has worked on; of these failed */
    uint64_t failures_in_row;
    uint64_t backlog;      /* that wait for it, as far as it knows */
    int64_t oldest_ms;     /* the oldest of these, when it was due; -1: none */
    char error[PW_SERVICE_ERROR_MAX]; /* of the last round that failed; "": none since the last good one */
} pw_service_state;

typedef struct pw_service {
    pthread_mutex_t lock;
    pw_service_state state;
} pw_service;

PAWL_CHECK pawl_code pw_service_init(pw_service *service, const char *name, uint64_t interval_ms, bool enabled, pawl_error *err);
void pw_service_done(pw_service *service);
void pw_service_expect(pw_service *service, uint64_t interval_ms, bool enabled); /* who starts it knows */
/* Times are of the engine's clock. Any thread, but one round at a time. */
void pw_service_begin(pw_service *service, int64_t now_ms);
/* failure NULL, or code PAWL_OK: it ended well. */
void pw_service_end(pw_service *service, int64_t now_ms, uint64_t items, uint64_t failed_items, const pawl_error *failure);
void pw_service_backlog(pw_service *service, uint64_t backlog, int64_t oldest_ms);
/* As what `parts` come to together: sums, the last of each instant, but the first that is late, and the newest error of those that fail. */
void pw_service_sum(pw_service *service, pw_service *const *parts, size_t count);
void pw_service_look(pw_service *service, pw_service_state *out);

/* Is it well? Late: no round within PW_SERVICE_LATE intervals (and ten seconds). */
#define PW_SERVICE_LATE 3
typedef enum pw_service_health { PW_SERVICE_UP, PW_SERVICE_DISABLED, PW_SERVICE_FAILING, PW_SERVICE_OVERDUE } pw_service_health;
pw_service_health pw_service_judge(const pw_service_state *state, int64_t now_ms);
const char *pw_service_health_name(pw_service_health health); /* "up", "disabled", "failing", "overdue" */
#endif
