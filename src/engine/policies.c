/* policies.c - see policies.h. */
#include <math.h>
#include "engine/policies.h"
#include "base/json.h"

#define TIME_MAX_MS (UINT64_C(36500) * 86400000) /* a hundred years: sums of times stay far below 64 bits */
enum { CALLS_AT_ONCE_MAX = 65536 };

static pawl_code wrong(pawl_error *err, const char *member, const char *range, uint64_t value)
{
    return pw_fail(err, PAWL_INVALID, "options.resilience: %s must be %s, not %llu", member, range,
                   (unsigned long long)value);
}

static pawl_code check_times(const pawl_resilience *r, pawl_error *err)
{
    const struct {
        const char *name;
        uint64_t ms, least;
    } times[] = {
        { "base_delay_ms", r->base_delay_ms, 0 },
        { "max_delay_ms", r->max_delay_ms, 0 },
        { "call_base_delay_ms", r->call_base_delay_ms, 0 },
        { "call_max_delay_ms", r->call_max_delay_ms, 0 },
        { "breaker_window_ms", r->breaker_window_ms, 1 },
        { "breaker_break_ms", r->breaker_break_ms, 1 },
        { "store_ms", r->store_ms, 0 },
        { "long_running_ms", r->long_running_ms, 0 },
        { "suspend_within_ms", r->suspend_within_ms, 1 },
    };
    for (size_t i = 0; i < PW_LENGTH(times); i++) {
        if (times[i].ms < times[i].least)
            return wrong(err, times[i].name, "at least 1", times[i].ms);
        if (times[i].ms > TIME_MAX_MS)
            return wrong(err, times[i].name, "at most 3153600000000, a hundred years", times[i].ms);
    }
    if (r->max_delay_ms < r->base_delay_ms)
        return wrong(err, "max_delay_ms", "at least base_delay_ms", r->max_delay_ms);
    if (r->call_max_delay_ms < r->call_base_delay_ms)
        return wrong(err, "call_max_delay_ms", "at least call_base_delay_ms", r->call_max_delay_ms);
    return PAWL_OK;
}

static pawl_code check(const pawl_resilience *r, pawl_error *err)
{
    if (r->breaker_failures == 0)
        return wrong(err, "breaker_failures", "at least 1", 0);
    if (r->calls_at_once == 0 || r->calls_at_once > CALLS_AT_ONCE_MAX)
        return wrong(err, "calls_at_once", "1 to 65536", r->calls_at_once);
    if (!isfinite(r->calls_per_second) || r->calls_per_second < 0)
        return pw_fail(err, PAWL_INVALID,
                       "options.resilience: calls_per_second must be a number from 0 on, not %g",
                       r->calls_per_second);
    return check_times(r, err);
}

static pawl_code read_on_unknown(pw_on_unknown *out, const char *text, pawl_error *err)
{
    static const struct {
        const char *name;
        pw_on_unknown value;
    } all[] = { { "resend", PW_ON_UNKNOWN_RESEND }, { "ask", PW_ON_UNKNOWN_ASK }, { "fault", PW_ON_UNKNOWN_FAULT } };
    *out = PW_ON_UNKNOWN_RESEND;
    if (!text)
        return PAWL_OK;
    for (size_t i = 0; i < PW_LENGTH(all); i++) {
        if (strcmp(text, all[i].name) == 0) {
            *out = all[i].value;
            return PAWL_OK;
        }
    }
    return pw_fail(err, PAWL_INVALID,
                   "options.resilience: on_unknown must be \"resend\", \"ask\" or \"fault\", not '%.100s'", text);
}

static pawl_code read_rows(pw_fault_policy *out, const char *text, pw_arena *arena, pawl_error *err)
{
    pw_value rows;
    pawl_code code = pw_json_parse(&rows, pw_str_of(text), NULL, arena, err);
    if (code != PAWL_OK)
        return pw_error_context(err, code, "options.resilience: faults");
    if (!pw_is(rows, PW_OBJECT))
        return pw_fail(err, PAWL_INVALID,
                       "options.resilience: faults must be an object like {\"activity:timeout\":\"incident\"}");
    const pw_member *members = pw_members(rows);
    for (uint32_t i = 0; i < rows.count; i++) {
        if (!pw_is(members[i].value, PW_STRING))
            return pw_fail(err, PAWL_INVALID, "options.resilience: faults: the value of '" PW_FMT "' must be text",
                           PW_ARG(members[i].key));
        code = pw_fault_policy_set(out, members[i].key, pw_text(members[i].value), err);
        if (code != PAWL_OK)
            return pw_error_context(err, code, "options.resilience: faults");
    }
    return PAWL_OK;
}

static void set_retries(pw_fault_policy *out, const pawl_resilience *r)
{
    for (unsigned kind = 0; kind < PW_FAULT_KIND_COUNT; kind++) {
        const bool call = kind == PW_FAULT_EXTERNAL_CALL;
        pw_retry_settings *retry = &out->retry[kind];
        retry->count = call ? r->call_retries : r->retries;
        retry->delay_ms = call ? r->call_base_delay_ms : r->base_delay_ms;
        retry->delay_ms_max = call ? r->call_max_delay_ms : r->max_delay_ms;
    }
    out->suspend_after = r->suspend_after;
    out->suspend_within_ms = r->suspend_within_ms;
}

pawl_code pw_policies_read(pw_policies *out, const pawl_resilience *given, pawl_error *err)
{
    *out = (pw_policies){ .given = pawl_resilience_default(), .faults = pw_fault_policy_default };
    pawl_resilience *r = &out->given;
    if (given && given->struct_size < sizeof given->struct_size)
        return pw_fail(err, PAWL_INVALID,
                       "options.resilience: struct_size is %zu; begin with pawl_resilience_default()", given->struct_size);
    if (given)
        memcpy(r, given, given->struct_size < sizeof *r ? given->struct_size : sizeof *r);
    r->struct_size = sizeof *r;
    pawl_code code = check(r, err);
    if (code == PAWL_OK)
        code = read_on_unknown(&out->on_unknown, r->on_unknown, err);
    set_retries(&out->faults, r);
    if (code == PAWL_OK && r->faults) {
        pw_arena arena;
        pw_arena_init(&arena, 0);
        code = read_rows(&out->faults, r->faults, &arena, err);
        pw_arena_done(&arena);
    }
    r->on_unknown = r->faults = NULL; /* the caller's */
    return code;
}
