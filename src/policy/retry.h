/* retry.h - when to try again: a pure function of (settings, history, now, seed). */
#ifndef PW_RETRY_H
#define PW_RETRY_H

#include "base/base.h"

typedef enum pw_backoff {
    PW_BACKOFF_CONSTANT,    /* delay */
    PW_BACKOFF_LINEAR,      /* delay * n, n = 1 for the first retry */
    PW_BACKOFF_EXPONENTIAL, /* delay * factor^(n-1) */
} pw_backoff;

typedef struct pw_retry_settings {
    pw_backoff backoff;
    uint64_t delay_ms;
    double factor;           /* exponential; 0: 2 */
    uint64_t delay_ms_max;   /* 0: no cap; jitter included */
    uint64_t jitter_ms_from; /* a uniform amount in [from, to] is added */
    uint64_t jitter_ms_to;
    uint32_t count;          /* retries after the first try; PW_RETRY_UNLIMITED */
    uint64_t total_ms;       /* from the first failure's attempt start; 0: no limit */
    bool full_jitter;        /* the delay is uniform in [0, what was computed] (decision 2 of the design) */
} pw_retry_settings;

#define PW_RETRY_UNLIMITED UINT32_MAX

typedef struct pw_retry_history {
    uint32_t retries;        /* made so far */
    int64_t first_ms;        /* when the first attempt began */
    int64_t now_ms;
    uint64_t seed;           /* the only source of jitter */
    uint64_t after_ms;       /* Retry-After: not before, but never above delay_ms_max; 0: none */
} pw_retry_history;

/* True: try again after *delay_ms. False: attempts or time are used up. Saturates, never overflows. */
bool pw_retry_next(uint64_t *delay_ms, const pw_retry_settings *settings,
                   const pw_retry_history *history);
/* splitmix64: the next of a stream of seeds (Steele, Lea, Flood, 2014). */
uint64_t pw_seed_next(uint64_t *seed);
#endif
