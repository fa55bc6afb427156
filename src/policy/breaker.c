/* breaker.c - whether a call may go to a service now.
 *
 * The window is a row of at most ten slices, each begun by the call that did not fit into the one
 * before, so that a slice is in the window exactly if its first call is. The memory of a breaker is
 * the same for a service with a million calls. */
#include "policy/breaker.h"

const pw_breaker_settings pw_breaker_default = { 5, 10, 30000, 60000 };

const char *pw_breaker_state_name(pw_breaker_state state)
{
    static const char *const names[] = { "closed", "open", "half-open" };
    return names[state];
}

bool pw_breaker_state_parse(pw_breaker_state *out, pw_str name)
{
    for (unsigned i = 0; i <= PW_BREAKER_HALF_OPEN; i++)
        if (pw_str_is(name, pw_breaker_state_name((pw_breaker_state)i))) {
            *out = (pw_breaker_state)i;
            return true;
        }
    return false;
}

const char *pw_breaker_force_name(pw_breaker_force force)
{
    static const char *const names[] = { "auto", "open", "closed" };
    return names[force];
}

bool pw_breaker_force_parse(pw_breaker_force *out, pw_str name)
{
    for (unsigned i = 0; i <= PW_BREAKER_FORCED_CLOSED; i++)
        if (pw_str_is(name, pw_breaker_force_name((pw_breaker_force)i))) {
            *out = (pw_breaker_force)i;
            return true;
        }
    return false;
}

static int64_t later(int64_t at_ms, uint64_t by_ms)
{
    int64_t sum;
    if (by_ms > INT64_MAX || __builtin_add_overflow(at_ms, (int64_t)by_ms, &sum))
        return INT64_MAX;
    return sum;
}

/* From `from_ms` to `to_ms`; 0 if that is backwards. */
static uint64_t between(int64_t from_ms, int64_t to_ms)
{
    return to_ms > from_ms ? (uint64_t)to_ms - (uint64_t)from_ms : 0;
}

/* ---- the window */

static void forget(pw_breaker *breaker)
{
    memset(breaker->slices, 0, sizeof breaker->slices);
    breaker->window_ms = 0;
}

/* The slice for a call that ends now is the first one after this. */
static void begin_slice(pw_breaker *breaker, uint64_t window_ms, int64_t now_ms)
{
    if (breaker->slices[0].calls > 0 && now_ms < breaker->slices[0].from_ms)
        forget(breaker); /* the clock went back: what is from the future would stay for ever */
    if (breaker->window_ms < window_ms)
        breaker->window_ms = window_ms;
    uint64_t width = breaker->window_ms / PW_BREAKER_SLICES;
    if (breaker->slices[0].calls > 0 && between(breaker->slices[0].from_ms, now_ms) < width)
        return;
    memmove(&breaker->slices[1], &breaker->slices[0],
            sizeof breaker->slices - sizeof breaker->slices[0]);
    breaker->slices[0].from_ms = now_ms;
    breaker->slices[0].calls = breaker->slices[0].failures = 0;
}

static uint32_t sum(uint32_t a, uint32_t b)
{
    uint32_t out;
    return __builtin_add_overflow(a, b, &out) ? UINT32_MAX : out;
}

void pw_breaker_count(const pw_breaker *breaker, const pw_breaker_settings *settings,
                      int64_t now_ms, uint32_t *calls, uint32_t *failures)
{
    *calls = *failures = 0;
    for (size_t i = 0; i < PW_BREAKER_SLICES; i++) {
        if (breaker->slices[i].calls == 0 || breaker->slices[i].from_ms > now_ms ||
            between(breaker->slices[i].from_ms, now_ms) >= settings->window_ms)
            continue;
        *calls = sum(*calls, breaker->slices[i].calls);
        *failures = sum(*failures, breaker->slices[i].failures);
    }
}

/* ---- the states */

static void wait_from(pw_breaker *breaker, int64_t from_ms, int64_t until_ms)
{
    breaker->open_until_ms = until_ms;
    breaker->wait_ms = between(from_ms, until_ms);
}

static void become_open(pw_breaker *breaker, uint64_t break_ms, int64_t now_ms)
{
    breaker->state = PW_BREAKER_OPEN;
    breaker->ramp = 0;
    wait_from(breaker, now_ms, later(now_ms, break_ms));
    forget(breaker);
}

static void become_closed(pw_breaker *breaker)
{
    breaker->state = PW_BREAKER_CLOSED;
    breaker->ramp = 1; /* the window is empty since it opened */
    wait_from(breaker, -1, -1);
}

/* Whether the time is not over. More than twice what it was cannot be left: the clock went back. */
static bool still_waits(const pw_breaker *breaker, int64_t now_ms)
{
    uint64_t left = between(now_ms, breaker->open_until_ms);
    return left > 0 && left / 2 <= breaker->wait_ms;
}

pw_pass pw_breaker_ask(const pw_breaker *breaker, uint32_t active, int64_t now_ms)
{
    switch (breaker->forced) {
    case PW_BREAKER_FORCED_OPEN:
        return PW_PASS_NO;
    case PW_BREAKER_FORCED_CLOSED:
        return PW_PASS_YES;
    case PW_BREAKER_AUTO:
        break;
    }
    if (breaker->state == PW_BREAKER_CLOSED)
        return breaker->ramp == 0 || active < breaker->ramp ? PW_PASS_YES : PW_PASS_NO;
    if (breaker->probing || still_waits(breaker, now_ms))
        return PW_PASS_NO;
    return PW_PASS_PROBE;
}

int64_t pw_breaker_next(const pw_breaker *breaker, int64_t now_ms)
{
    if (breaker->forced != PW_BREAKER_AUTO || breaker->state == PW_BREAKER_CLOSED ||
        breaker->probing)
        return INT64_MAX;
    return still_waits(breaker, now_ms) ? breaker->open_until_ms : now_ms;
}

void pw_breaker_probe(pw_breaker *breaker)
{
    breaker->state = PW_BREAKER_HALF_OPEN;
    breaker->probing = true;
}

void pw_breaker_probe_lost(pw_breaker *breaker, int64_t now_ms)
{
    breaker->probing = false;
    if (breaker->state == PW_BREAKER_HALF_OPEN)
        wait_from(breaker, now_ms, now_ms);
}

bool pw_breaker_ended(pw_breaker *breaker, const pw_breaker_settings *settings, bool probe,
                      bool failed, int64_t now_ms)
{
    if (probe)
        breaker->probing = false;
    if (breaker->forced == PW_BREAKER_AUTO && breaker->state == PW_BREAKER_HALF_OPEN && probe) {
        if (failed)
            become_open(breaker, settings->break_ms, now_ms);
        else
            become_closed(breaker);
        return true;
    }
    if (breaker->state != PW_BREAKER_CLOSED && breaker->forced != PW_BREAKER_FORCED_CLOSED)
        return false;
    begin_slice(breaker, settings->window_ms, now_ms);
    breaker->slices[0].calls = sum(breaker->slices[0].calls, 1);
    breaker->slices[0].failures = sum(breaker->slices[0].failures, failed);
    if (breaker->forced != PW_BREAKER_AUTO)
        return false;
    if (!failed) {
        if (breaker->ramp > 0 && ++breaker->ramp > PW_BREAKER_RAMP_MOST)
            breaker->ramp = 0;
        return false;
    }
    uint32_t calls, failures;
    pw_breaker_count(breaker, settings, now_ms, &calls, &failures);
    if (calls < settings->throughput || failures < settings->failures)
        return false;
    become_open(breaker, settings->break_ms, now_ms);
    return true;
}

void pw_breaker_take(pw_breaker *breaker, const pw_breaker_record *record, int64_t now_ms)
{
    bool held = breaker->forced == PW_BREAKER_FORCED_OPEN ||
                (breaker->forced == PW_BREAKER_AUTO && breaker->state != PW_BREAKER_CLOSED);
    if (breaker->forced != record->forced)
        forget(breaker);
    breaker->forced = record->forced;
    switch (record->state) {
    case PW_BREAKER_CLOSED:
        if (held) /* another's probe, or an operator: what waited comes at a ramp */
            become_closed(breaker);
        breaker->state = PW_BREAKER_CLOSED;
        if (record->forced == PW_BREAKER_FORCED_CLOSED)
            breaker->ramp = 0;
        break;
    case PW_BREAKER_OPEN:
        become_open(breaker, 0, now_ms);
        wait_from(breaker, record->changed_ms, record->open_until_ms);
        break;
    case PW_BREAKER_HALF_OPEN:
        breaker->state = PW_BREAKER_HALF_OPEN;
        breaker->ramp = 0;
        wait_from(breaker, record->changed_ms, record->probe_until_ms);
        break;
    }
}

/* ---- rate */

#define RATE_MOST 1e9  /* a second; more is no limit: a million in each ms */
#define WAIT_MOST 1e15 /* ms: thirty thousand years */
#define NO_TIME 1e-6   /* ms: what the digits of a double may be wrong by */

static bool is_limited(double per_second)
{
    return per_second > 0 && per_second <= RATE_MOST;
}

/* How long until one may go, in ms; 0: now. */
static double wait_of(pw_rate *rate, double per_second, int64_t now_ms)
{
    double most = per_second > 1 ? per_second : 1;
    double level = rate->level + (double)between(rate->at_ms, now_ms) * per_second / 1000;
    rate->level = rate->begun && level < most ? level : most;
    rate->at_ms = now_ms;
    rate->begun = true;
    double wait_ms = (1 - rate->level) / per_second * 1000;
    if (wait_ms <= 2 * NO_TIME)
        return 0;
    return wait_ms < WAIT_MOST ? wait_ms : WAIT_MOST;
}

static int64_t instant_of(int64_t now_ms, double wait_ms)
{
    uint64_t whole = (uint64_t)wait_ms;
    return later(now_ms, whole + (wait_ms - (double)whole > NO_TIME));
}

int64_t pw_rate_next(pw_rate *rate, double per_second, int64_t now_ms)
{
    return is_limited(per_second) ? instant_of(now_ms, wait_of(rate, per_second, now_ms)) : now_ms;
}

bool pw_rate_take(pw_rate *rate, double per_second, int64_t now_ms, int64_t *again_ms)
{
    *again_ms = now_ms;
    if (!is_limited(per_second))
        return true;
    double wait_ms = wait_of(rate, per_second, now_ms);
    *again_ms = instant_of(now_ms, wait_ms);
    if (wait_ms > 0)
        return false;
    rate->level = rate->level > 1 ? rate->level - 1 : 0;
    return true;
}

void pw_rate_give_back(pw_rate *rate)
{
    rate->level += 1; /* more than fits is cut off when it is asked */
}
