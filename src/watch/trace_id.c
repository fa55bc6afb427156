/* trace_id.c - the ids of traces and spans, made of what they are about. */
#include "base/digest.h"
#include "watch/trace.h"

/* "00-TRACE-SPAN-FLAGS": so many hexadecimal digits from `at` on; false: there are none, or zeros only. */
static bool read_hex(unsigned char *out, size_t bytes, const char *at)
{
    static const char digits[] = "0123456789abcdef";
    bool some = false;
    for (size_t i = 0; i < bytes; i++) {
        const char *high = at[2 * i] ? strchr(digits, at[2 * i]) : NULL, *low = at[2 * i + 1] ? strchr(digits, at[2 * i + 1]) : NULL;
        if (!high || !low)
            return false;
        out[i] = (unsigned char)((high - digits) << 4 | (low - digits));
        some = some || out[i] != 0;
    }
    return some;
}

bool pw_trace_read(unsigned char trace[16], unsigned char span[8], bool *sampled, pw_str traceparent)
{
    unsigned char version, flags = 0;
    if (traceparent.len != PW_TRACEPARENT_SIZE - 1)
        return false;
    const char *t = traceparent.ptr;
    if (t[2] != '-' || t[35] != '-' || t[52] != '-' || !read_hex(trace, 16, t + 3) || !read_hex(span, 8, t + 36))
        return false;
    (void)read_hex(&version, 1, t); /* later versions begin as this one does */
    (void)read_hex(&flags, 1, t + 53);
    *sampled = (flags & 1) != 0;
    return true;
}

void pw_trace_id(unsigned char out[16], pw_str instance, pw_str traceparent)
{
    unsigned char span[8];
    bool sampled;
    if (pw_trace_read(out, span, &sampled, traceparent))
        return;
    const pw_str parts[] = { PW_LIT("pawl trace"), instance };
    const pw_digest digest = pw_digest_of(parts, PW_LENGTH(parts));
    memcpy(out, digest.bytes, 16);
    out[15] |= 1; /* never all zero */
}

void pw_trace_span_id(unsigned char out[8], pw_str instance, const char *what, uint64_t number, uint64_t attempt)
{
    const pw_str parts[] = { instance, pw_str_of(what), { (const char *)&number, sizeof number },
                             { (const char *)&attempt, sizeof attempt } };
    const pw_digest digest = pw_digest_of(parts, PW_LENGTH(parts));
    memcpy(out, digest.bytes, 8);
    out[7] |= 1; /* never all zero */
}
