/* sync.h - all by which the engine waits, and what it cannot compute: conditions, threads, the
 * monotonic clock, random numbers.
 *
 * sync.c does it with threads of the system. The simulation (test/sim) links a file of its own in
 * its place, where one thread plays them all, and clock and chance come from a seed: whoever waits
 * by anything else is not simulated. Locks are plain pthread mutexes, held for a few lines and never
 * while waiting by anything but a condition. */
#ifndef PW_SYNC_H
#define PW_SYNC_H

#include <pthread.h>
#include "base/base.h"

/* ---- time */
uint64_t pw_monotonic_ns(void);
uint64_t pw_boot_ns(void); /* the same, and it goes on while the machine sleeps; nobody can wait by it */

/* ---- conditions, on that clock */
PAWL_CHECK pawl_code pw_condition_init(pthread_cond_t *cond, pawl_error *err);
void pw_condition_done(pthread_cond_t *cond);
void pw_condition_wake(pthread_cond_t *cond); /* all who wait */
/* Until woken or deadline_ns has passed (UINT64_MAX: never); false: it has passed. */
bool pw_condition_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline_ns);

/* ---- threads: with all signals blocked, which are the host program's */
typedef struct pw_thread {
    pthread_t id;
    bool started; /* and not joined */
} pw_thread;
/* `name`: up to 15 bytes, for people who look at the process. */
PAWL_CHECK pawl_code pw_thread_start(pw_thread *thread, const char *name, void (*run)(void *context),
                                     void *context, pawl_error *err);
void pw_thread_join(pw_thread *thread); /* one that was not started: nothing */

/* ---- chance */
PAWL_CHECK pawl_code pw_random(void *out, size_t size, pawl_error *err); /* size up to 256 */
#endif
