/* zone.h - time zones: what a clock on the wall shows, at any instant.
 *
 * A zone is a sequence of spans in which the clock is a fixed number of seconds ahead of UTC. It is
 * read from the system's database once, and never changes after that; so who has it needs no file
 * and no lock. */
#ifndef PW_ZONE_H
#define PW_ZONE_H

#include "base/arena.h"

#define PW_ZONE_NAME_MAX 64u
#define PW_ZONE_FILE_MAX 65536u        /* bytes; the largest of the real ones has 4,000 */
#define PW_ZONE_OFFSET_MAX (26 * 3600) /* seconds ahead of UTC, or behind it: RFC 8536 */

typedef struct pw_zone pw_zone;

/* A time in seconds since the Unix epoch that nothing comes before, or behind. */
#define PW_ZONE_FIRST (INT64_MIN / 4)
#define PW_ZONE_LAST (INT64_MAX / 4)

typedef struct pw_zone_span {
    int64_t from, to; /* seconds since the epoch; `to` is the first one behind it */
    int32_t offset;   /* seconds ahead of UTC; two spans that follow each other may have the same */
} pw_zone_span;

/* The zone "UTC" is always there; others come from TZDIR, or /usr/share/zoneinfo. PAWL_INVALID: no
 * such zone, or its file is not what it should be; PAWL_IO: it cannot be read. */
PAWL_CHECK pawl_code pw_zone_load(const pw_zone **out, pw_str name, pw_arena *arena,
                                  pawl_error *err);
/* From the bytes of a file (TZif, RFC 8536, version 2 or later). */
PAWL_CHECK pawl_code pw_zone_parse(const pw_zone **out, pw_str name, pw_str bytes, pw_arena *arena,
                                   pawl_error *err);
pw_str pw_zone_name(const pw_zone *zone);
pw_zone_span pw_zone_span_at(const pw_zone *zone, int64_t second);
#endif
