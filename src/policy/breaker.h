/* breaker.h - whether a call may go to a service now: circuit breaker and rate limit. Pure data and pure functions of
 * (what happened, settings, now); `now` is wall-clock ms, as what is stored is. A clock that jumps back makes nobody wait
 * longer than twice the time that was meant, and lets nothing pass that should not.
 *
 * Decision 1 of the design: a breaker opens when in the sampling window at least `throughput` calls ended and at least
 * `failures` of them failed; it refuses for `break_ms`; then one probe is sent; its success closes, its failure opens again.
 * What waited is released at a ramp: as many at once as have succeeded since, plus one, until PW_BREAKER_RAMP_MOST; there
 * the ramp ends.
 *
 *     CLOSED --failures--> OPEN --time--> HALF_OPEN (probe under way) --success--> CLOSED, with a ramp
 *                           ^                  '------failure------'                               */
#ifndef PW_BREAKER_H
#define PW_BREAKER_H

#include "base/base.h"

typedef struct pw_breaker_settings {
    uint32_t failures;   /* FailureThreshold */
    uint32_t throughput; /* MinimumThroughput */
    uint64_t window_ms;  /* 30000 */
    uint64_t break_ms;   /* BreakDuration */
} pw_breaker_settings;
extern const pw_breaker_settings pw_breaker_default; /* 5, 10, 30 s, 60 s */

typedef enum pw_breaker_state { PW_BREAKER_CLOSED, PW_BREAKER_OPEN, PW_BREAKER_HALF_OPEN } pw_breaker_state;
typedef enum pw_breaker_force { PW_BREAKER_AUTO, PW_BREAKER_FORCED_OPEN, PW_BREAKER_FORCED_CLOSED } pw_breaker_force;
const char *pw_breaker_state_name(pw_breaker_state state); /* "closed", "open", "half-open": part of the stored data */
bool pw_breaker_state_parse(pw_breaker_state *out, pw_str name);
const char *pw_breaker_force_name(pw_breaker_force force); /* "auto", "open", "closed": the same */
bool pw_breaker_force_parse(pw_breaker_force *out, pw_str name);

/* What of a breaker is stored, and shared by nodes. `epoch` rises with each change of it: who changes it must have read it. */
typedef struct pw_breaker_record {
    pw_str service;      /* "https://host:port", or a name that tasks give */
    pw_breaker_state state;
    uint64_t epoch;      /* 0: there is no row yet */
    int64_t open_until_ms; /* OPEN; -1 */
    pw_breaker_force forced;
    pw_str probe_by;     /* HALF_OPEN: the node that sends it */
    int64_t probe_until_ms; /* then others may; -1 */
    pw_str changed_by;   /* who forced it, else "system" */
    pw_str reason;       /* why it is as it is, for people */
    int64_t changed_ms;
} pw_breaker_record;

#define PW_BREAKER_SLICES 10 /* of the window: it is counted a tenth too short at most, never too long */
#define PW_BREAKER_RAMP_MOST 64u /* what a bulkhead is if nothing is said */

/* What one process knows of a service. All zero: closed, and nothing has been seen. */
typedef struct pw_breaker {
    pw_breaker_state state;
    pw_breaker_force forced;
    int64_t open_until_ms; /* OPEN: no probe before; HALF_OPEN, by another process: the same */
    uint64_t wait_ms;    /* how long that was when it began */
    bool probing;        /* a probe of ours is under way */
    uint32_t ramp;       /* so many at once at most; 0: no limit by this */
    uint64_t window_ms;  /* the longest that was asked for: settings may differ between calls */
    struct {             /* newest first; those of no calls are empty */
        int64_t from_ms; /* of its first call */
        uint32_t calls, failures;
    } slices[PW_BREAKER_SLICES];
} pw_breaker;

typedef enum pw_pass {
    PW_PASS_YES,
    PW_PASS_PROBE, /* it is time for one: who gets the probe (record) may send this call as it */
    PW_PASS_NO,
} pw_pass;

/* Whether one more may go beside `active`. */
pw_pass pw_breaker_ask(const pw_breaker *breaker, uint32_t active, int64_t now_ms);
/* When to ask again after NO: an instant, or INT64_MAX: when a call ends, or it is forced. */
int64_t pw_breaker_next(const pw_breaker *breaker, int64_t now_ms);
/* The probe was given to us, and is sent. */
void pw_breaker_probe(pw_breaker *breaker);
/* Our probe has ended and tells nothing (it was cancelled): it is time for another one. */
void pw_breaker_probe_lost(pw_breaker *breaker, int64_t now_ms);
/* A call has ended, with the settings that hold for it. True: the state is another now. A refusal is no call. What ends
 * while it is not closed is of before, unless it is the probe; while it is forced, nothing changes. */
bool pw_breaker_ended(pw_breaker *breaker, const pw_breaker_settings *settings, bool probe, bool failed, int64_t now_ms);
/* As the record says: after a start, by an operator, or from another node. Records come in the order of their epochs: who
 * tells sees to it. A probe of ours that is under way stays one. */
void pw_breaker_take(pw_breaker *breaker, const pw_breaker_record *record, int64_t now_ms);
/* Calls and failures of the window. */
void pw_breaker_count(const pw_breaker *breaker, const pw_breaker_settings *settings, int64_t now_ms, uint32_t *calls,
                      uint32_t *failures);

/* ---- rate: a bucket of one second's worth, at least 1. All zero: full. */
typedef struct pw_rate {
    double level;  /* calls that may go now */
    int64_t at_ms; /* of that */
    bool begun;
} pw_rate;
/* When the next may go: now, or the instant; per_second 0: no limit. */
int64_t pw_rate_next(pw_rate *rate, double per_second, int64_t now_ms);
/* True: one goes, and is counted. Else *again_ms: when the next may. */
bool pw_rate_take(pw_rate *rate, double per_second, int64_t now_ms, int64_t *again_ms);
/* One that was taken does not go after all. */
void pw_rate_give_back(pw_rate *rate);
#endif
