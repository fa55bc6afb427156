/* recover.h - brings back what the store holds: at open everything that was running, due or in
 * flight; then timers, window by window; inbox rows; and messages. */
#ifndef PW_RECOVER_H
#define PW_RECOVER_H

#include "engine/mailbox.h"

typedef struct pw_recovery pw_recovery;

#define PW_WINDOW_MS 300000 /* timers of the next five minutes are in memory */
#define PW_CHECK_MS 10000   /* CheckInterval: overdue rows and the inbox are looked at */
#define PW_TIMER_BATCH 20 /* TimerProcessing:BatchSize: overdue instances that are woken at once, for each step thread */
#define PW_ANSWER_MS 86400000 /* 24 hours: a request that comes again within them hears what it heard */

PAWL_CHECK pawl_code pw_recovery_new(pw_recovery **out, pawl *p, pawl_error *err);
void pw_recovery_free(pw_recovery *recovery);
/* One round; false: stop. Waits for the next one if `wait`. */
bool pw_recovery_work(pw_recovery *recovery, bool wait);
void pw_recovery_stop(pw_recovery *recovery);
/* What is overdue, and the inbox, are looked at now: there is room on the disk again. */
void pw_recovery_check(pw_recovery *recovery);
/* The clock has moved: look at the window again. */
void pw_recovery_wake(pw_recovery *recovery);
/* These partitions are this node's now: what is in them is brought back. */
void pw_recovery_gained(pw_recovery *recovery, uint64_t partitions);
/* Rows of the inbox were left without a letter, and there is room now. */
void pw_recovery_inbox(pw_recovery *recovery);
/* A letter that can have no effect: its row is returned, and it is freed. */
void pw_recovery_return(pw_recovery *recovery, struct pw_letter *letter);
/* A function was registered: everything in flight is looked at again. */
void pw_recovery_again(pw_recovery *recovery);
/* Until a whole round that began after this call has ended; *whole: everything that was to be
 * looked at could be. PAWL_TIMEOUT; PAWL_BUSY: closing. */
PAWL_CHECK pawl_code pw_recovery_round(pw_recovery *recovery, uint64_t deadline_ns, bool *whole,
                                       pawl_error *err);
#endif
