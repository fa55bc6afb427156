/* clock.h - has the clock been set, or has the machine slept? Told by three clocks that are looked at now and then: the
 * engine's (of the wall: it may be set), the monotonic one (it stands while the machine sleeps), and that of the time since boot,
 * which does neither. */
#ifndef PW_CLOCK_H
#define PW_CLOCK_H

#include "base/base.h"

#define PW_CLOCK_JUMP_MS 1000 /* less between two looks is how clocks go: nobody is told */

typedef struct pw_clock { /* all zero: never looked at */
    bool known;
    int64_t wall_ms;
    uint64_t monotonic_ns, boot_ns;
} pw_clock;

typedef struct pw_clock_news {
    int64_t jumped_ms; /* the clock was set: forward, or (negative) back; 0: it was not */
    uint64_t slept_ms; /* the machine slept; 0: it did not */
} pw_clock_news;

/* What happened since the last look. Each jump is told once. */
pw_clock_news pw_clock_look(pw_clock *clock, int64_t wall_ms, uint64_t monotonic_ns, uint64_t boot_ns);
#endif
