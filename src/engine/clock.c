/* clock.c - see clock.h. What passed between two looks is compared, not the clocks themselves: a clock that is slewed, or runs a little
 * fast, never adds up to a jump. */
#include "engine/clock.h"

#define NS_PER_MS UINT64_C(1000000)

pw_clock_news pw_clock_look(pw_clock *clock, int64_t wall_ms, uint64_t monotonic_ns, uint64_t boot_ns)
{
    pw_clock_news news = { 0 };
    if (clock->known) {
        const int64_t passed_ms = (int64_t)((boot_ns - clock->boot_ns) / NS_PER_MS);
        const int64_t awake_ms = (int64_t)((monotonic_ns - clock->monotonic_ns) / NS_PER_MS);
        const int64_t jumped_ms = wall_ms - clock->wall_ms - passed_ms;
        if (jumped_ms > PW_CLOCK_JUMP_MS || jumped_ms < -PW_CLOCK_JUMP_MS)
            news.jumped_ms = jumped_ms;
        if (passed_ms - awake_ms > PW_CLOCK_JUMP_MS)
            news.slept_ms = (uint64_t)(passed_ms - awake_ms);
    }
    *clock = (pw_clock){ true, wall_ms, monotonic_ns, boot_ns };
    return news;
}
