/* breakers.h - the rows of circuit breakers: what the driver wants is stored, what is stored the driver is told.
 *
 * A thread of its own ("pawl-breakers") sleeps until a breaker wants something, or the rows are to be looked at again. The
 * driver's thread only leaves its wish and goes on. */
#ifndef PW_BREAKERS_H
#define PW_BREAKERS_H

#include "engine/sync.h"
#include "drivers/http.h"
#include "store/store.h"

typedef struct pw_breakers pw_breakers;

typedef struct pw_breakers_options {
    pw_store *store;
    pw_str node;       /* who we are, for the probes; lives as long as the keeper */
    bool alone;        /* nobody else can write the rows while we have the store */
    uint64_t probe_ms; /* the lease of a probe: longer than an attempt takes. 0: PW_BREAKER_PROBE_MS */
    uint64_t look_ms;  /* so often the rows of others are looked at while one is not closed; else five times later. 0: 2000 */
    /* The driver, the clock, and who is told that the store has failed. */
    void *context;
    pawl_code (*tell)(void *context, const pw_breaker_record *record, bool ours, pawl_error *err);
    pawl_code (*services)(void *context, pw_http_service **out, size_t *count, pw_arena *arena, pawl_error *err);
    int64_t (*now_ms)(void *context);
    void (*on_failure)(void *context, const pawl_error *err);
} pw_breakers_options;

#define PW_BREAKER_PROBE_MS 120000u /* two of the longest attempts */

/* Reads what is stored, and tells the driver. */
PAWL_CHECK pawl_code pw_breakers_new(pw_breakers **out, const pw_breakers_options *options, pawl_error *err);
void pw_breakers_stop(pw_breakers *breakers); /* nothing is done any more; before the driver goes */
void pw_breakers_free(pw_breakers *breakers); /* after it. NULL is fine */
/* What the driver wants, as of a pw_http_breaker_fn. Any thread; does not block. */
void pw_breakers_wish(pw_breakers *breakers, const pw_breaker_record *want);
/* One round of its thread's work: true: something was done. `wait`: until there is something; false: it was stopped. */
bool pw_breakers_work(pw_breakers *breakers, bool wait);

/* For who forces one: writes what `change` makes of the row that there is (epoch 0: none), and tells the driver; a change that
 * gives false has found nothing to do. Called again if another was faster. *out: the row. Any thread. */
typedef bool (*pw_breaker_change_fn)(void *context, pw_breaker_record *record);
PAWL_CHECK pawl_code pw_breakers_change(pw_breakers *breakers, pw_str service, pw_breaker_change_fn change, void *context,
                                        pw_breaker_record *out, pw_arena *arena, pawl_error *err);

/* ---- services.c: one of pawl_breakers, out of what the driver says and the row says; either may be NULL */
pw_value pw_breaker_described(const pw_http_service *service, const pw_breaker_record *row, pw_arena *arena);
#endif
