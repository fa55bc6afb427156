/* breaker.c - whether a call may go to a service now. */
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

pw_pass pw_breaker_ask(const pw_breaker *breaker, uint32_t active, int64_t now_ms)
{
    (void)breaker, (void)active, (void)now_ms;
    return PW_PASS_YES;
}

int64_t pw_breaker_next(const pw_breaker *breaker, int64_t now_ms)
{
    (void)breaker, (void)now_ms;
    return INT64_MAX;
}

void pw_breaker_probe(pw_breaker *breaker)
{
    breaker->probing = true;
}

bool pw_breaker_ended(pw_breaker *breaker, const pw_breaker_settings *settings, bool probe, bool failed, int64_t now_ms)
{
    (void)breaker, (void)settings, (void)probe, (void)failed, (void)now_ms;
    return false;
}

void pw_breaker_take(pw_breaker *breaker, const pw_breaker_record *record, int64_t now_ms)
{
    (void)now_ms;
    breaker->state = record->state;
    breaker->forced = record->forced;
    breaker->open_until_ms = record->open_until_ms;
}

void pw_breaker_count(const pw_breaker *breaker, const pw_breaker_settings *settings, int64_t now_ms, uint32_t *calls,
                      uint32_t *failures)
{
    (void)breaker, (void)settings, (void)now_ms;
    *calls = *failures = 0;
}

bool pw_rate_take(pw_rate *rate, double per_second, int64_t now_ms, int64_t *again_ms)
{
    (void)rate, (void)per_second;
    *again_ms = now_ms;
    return true;
}
