/* retry.c - the delay before the next attempt, from settings, history and a seed.
 *
 * Pure: the same arguments give the same answer on every machine. All amounts are ms and saturate
 * at UINT64_MAX instead of wrapping round. The exponential delay is computed by repeated
 * multiplication, not by pow(), whose last digit differs between C libraries.
 *
 * What is asked for comes last: full jitter spreads what the settings say, so that many who failed
 * together do not come back together; Retry-After is a lower bound of what comes out; the cap is
 * above both. */
#include "policy/retry.h"

/* 2^64: a double at or above it does not fit into uint64_t. */
#define TOO_LARGE 18446744073709551616.0

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t linear(uint64_t delay_ms, uint64_t n)
{
    uint64_t product;
    return __builtin_mul_overflow(delay_ms, n, &product) ? UINT64_MAX : product;
}

static uint64_t exponential(uint64_t delay_ms, double factor, uint64_t n)
{
    if (!(factor > 0)) /* 0, negative, or not a number */
        factor = 2;
    double delay = (double)delay_ms;
    for (uint64_t i = 1; i < n; i++) {
        double next = delay * factor;
        if (!(next < TOO_LARGE))
            return UINT64_MAX;
        if (next == delay) /* factor 1, or shrunk to nothing: no further change */
            break;
        delay = next;
    }
    return delay < TOO_LARGE ? (uint64_t)delay : UINT64_MAX;
}

static uint64_t capped(const pw_retry_settings *settings, uint64_t delay_ms)
{
    return settings->delay_ms_max > 0 && delay_ms > settings->delay_ms_max ? settings->delay_ms_max
                                                                           : delay_ms;
}

static uint64_t jitter(uint64_t from, uint64_t to, uint64_t *seed)
{
    if (to <= from)
        return from;
    uint64_t random = pw_seed_next(seed);
    uint64_t span = to - from;
    if (span == UINT64_MAX)
        return random;
    /* the high half of the product maps 64 random bits onto [0, span] evenly, without the bias of %
     */
    unsigned __int128 product = (unsigned __int128)random * ((unsigned __int128)span + 1);
    return from + (uint64_t)(product >> 64);
}

bool pw_retry_next(uint64_t *delay_ms, const pw_retry_settings *settings,
                   const pw_retry_history *history)
{
    if (settings->count != PW_RETRY_UNLIMITED && history->retries >= settings->count)
        return false;
    uint64_t n = (uint64_t)history->retries + 1;
    uint64_t seed = history->seed;
    uint64_t delay = settings->delay_ms;
    switch (settings->backoff) {
    case PW_BACKOFF_CONSTANT:
        break;
    case PW_BACKOFF_LINEAR:
        delay = linear(delay, n);
        break;
    case PW_BACKOFF_EXPONENTIAL:
        delay = exponential(delay, settings->factor, n);
        break;
    }
    delay = add_saturated(delay, jitter(settings->jitter_ms_from, settings->jitter_ms_to, &seed));
    delay = capped(settings, delay);
    if (settings->full_jitter)
        delay = jitter(0, delay, &seed);
    if (delay < history->after_ms)
        delay = capped(settings, history->after_ms);
    if (settings->total_ms > 0) {
        /* an attempt that could only begin after the limit is not made */
        uint64_t elapsed = 0;
        if (history->now_ms > history->first_ms)
            elapsed = (uint64_t)history->now_ms - (uint64_t)history->first_ms;
        if (add_saturated(elapsed, delay) >= settings->total_ms)
            return false;
    }
    *delay_ms = delay;
    return true;
}

uint64_t pw_seed_next(uint64_t *seed)
{
    *seed += 0x9e3779b97f4a7c15u;
    uint64_t z = *seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
