/* breakers.h - the rows of circuit breakers: what the driver wants is stored, what is stored the driver is told.
 *
 * A thread of its own ("pawl-breakers") sleeps until a breaker wants something, or a record is to be looked at again. The
 * driver's thread only leaves its wish and goes on. */
#ifndef PW_BREAKERS_H
#define PW_BREAKERS_H

#include "engine/sync.h"
#include "drivers/http.h"
#include "store/store.h"

typedef struct pw_breakers pw_breakers;

/* Reads what is stored, and tells the driver. `node`: who we are, for the probes. */
PAWL_CHECK pawl_code pw_breakers_new(pw_breakers **out, pawl *p, pw_str node, pawl_error *err);
void pw_breakers_stop(pw_breakers *breakers); /* before the driver goes */
void pw_breakers_free(pw_breakers *breakers);
/* Any thread, must not block: a pw_http_breaker_fn, whose context is the pw_breakers. */
void pw_breakers_wish(void *breakers, const pw_breaker_record *want);
/* One round of its thread's work, for who has no threads; true: something was done. `wait`: until there is something. */
bool pw_breakers_work(pw_breakers *breakers, bool wait);
#endif
