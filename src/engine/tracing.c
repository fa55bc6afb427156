/* tracing.c - traceparents: of what an instance does, and of what a host does with it. */
#include "engine/engine.h"
#include <time.h>

void pw_trace_root(unsigned char out[8], pw_str instance)
{
    pw_trace_span_id(out, instance, "instance", 0, 0);
}

/* ------------------------------------------------------------------ what goes out with calls and events */

static void write_hex(char *out, const unsigned char *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

bool pw_trace_base(char out[PW_TRACE_SIZE], const pawl *p, pw_str instance, pw_str trace)
{
    unsigned char id[16], span[8];
    if (trace.len == PW_TRACE_SIZE - 1) {
        memcpy(out, trace.ptr, PW_TRACE_SIZE - 1);
        out[PW_TRACE_SIZE - 1] = '\0';
        return true;
    }
    if (!pw_trace_sampled(p->tracer, instance, trace))
        return false;
    memcpy(out, "00-................................-................-01", PW_TRACE_SIZE);
    pw_trace_id(id, instance, trace);
    pw_trace_root(span, instance);
    write_hex(out + 3, id, sizeof id);
    write_hex(out + 36, span, sizeof span);
    return true;
}

void pw_trace_of_attempt(char out[PW_TRACE_SIZE], const char base[PW_TRACE_SIZE], pw_str key, uint32_t attempt)
{
    unsigned char span[8];
    uint64_t hash = pw_hash64(attempt, key.ptr, key.len);
    if (hash == 0)
        hash = 1; /* 0 is no span */
    for (size_t i = 0; i < sizeof span; i++)
        span[i] = (unsigned char)(hash >> (56 - 8 * i));
    memmove(out, base, PW_TRACE_SIZE);
    write_hex(out + 36, span, sizeof span);
}

void pw_trace_of_event(char out[PW_TRACE_SIZE], const char base[PW_TRACE_SIZE], pw_str instance, uint64_t sequence, uint64_t ordinal)
{
    unsigned char span[8];
    pw_trace_span_id(span, instance, "event", sequence, ordinal);
    memmove(out, base, PW_TRACE_SIZE);
    write_hex(out + 36, span, sizeof span);
}

/* ------------------------------------------------------------------ spans of the host's own */

int pawl_trace_begin(pawl *p, const char *parent, char out[56])
{
    unsigned char trace[16], above[8], span[8];
    bool sampled = false;
    if (!p || !p->tracer || pw_random(span, sizeof span, NULL) != PAWL_OK)
        return 0;
    span[7] |= 1; /* never all zero */
    if (!pw_trace_read(trace, above, &sampled, pw_str_of(parent))) {
        if (pw_random(trace, sizeof trace, NULL) != PAWL_OK)
            return 0;
        trace[15] |= 1;
        sampled = pw_trace_chosen(p->tracer, trace);
    }
    memcpy(out, "00-................................-................-00", PW_TRACE_SIZE);
    write_hex(out + 3, trace, sizeof trace);
    write_hex(out + 36, span, sizeof span);
    out[54] = sampled ? '1' : '0';
    return 1;
}

void pawl_trace_end(pawl *p, const char *span, const char *parent, const char *kind, const char *name, uint64_t duration_us, int failed,
                    const char *fields)
{
    pw_log_field list[PW_FIELDS_MAX];
    unsigned char above[16];
    bool sampled = false;
    struct timespec now;
    pw_span s = { .kind = kind ? kind : "internal", .name = pw_str_of(name), .failed = failed != 0, .fields = list };
    if (!p || !p->tracer || !pw_trace_read(s.trace, s.id, &sampled, pw_str_of(span)) || !sampled)
        return;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    s.end_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    s.begin_us = s.end_us - (int64_t)duration_us;
    if (!pw_trace_read(above, s.parent, &sampled, pw_str_of(parent)))
        memset(s.parent, 0, sizeof s.parent);
    pw_arena arena;
    pw_arena_init(&arena, 0);
    s.field_count = pw_fields_read(list, fields, &arena);
    pw_trace_span(p->tracer, &s);
    pw_arena_done(&arena);
}
