/* cron.h - times that come again, written as for cron: minute, hour, day of month, month, day of
 * week.
 *
 * The meaning is that of Vixie's cron. A list of both kinds of days means days that are in either;
 * a field that begins with `*` leaves the choice to the other. Where the clock on the wall is
 * changed, a time that is fixed (neither its minute nor its hour begins with `*`) comes once: a
 * time that the clock passes over comes at the first instant behind the gap, one that it shows
 * twice comes the first time. Other times come as often as the clock shows them. */
#ifndef PW_CRON_H
#define PW_CRON_H

#include "base/zone.h"

#define PW_CRON_TEXT_MAX 1024u
#define PW_CRON_NEVER INT64_MAX

typedef struct pw_cron {
    uint64_t minutes;                       /* bit 0 is minute 0; the others likewise */
    uint32_t hours, days, months, weekdays; /* days from bit 1, months from bit 1; Sunday is 0 */
    bool days_open, weekdays_open;          /* the field begins with `*` */
    bool fixed;
    const pw_zone *zone;
} pw_cron;

/* Five fields, or a name like @daily. PAWL_INVALID: the message names the field and the character;
 * or there is no such day in any year. */
PAWL_CHECK pawl_code pw_cron_parse(pw_cron *out, pw_str text, const pw_zone *zone, pawl_error *err);
/* The first time behind this instant (ms since the epoch); PW_CRON_NEVER: none before the year
 * 10000. */
int64_t pw_cron_next(const pw_cron *cron, int64_t after_ms);
#endif
