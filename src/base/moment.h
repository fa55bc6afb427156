/* moment.h - instants and durations as text. Instants are ms since the Unix epoch, UTC, in the
 * proleptic Gregorian calendar, years 0 to 9999. */
#ifndef PW_MOMENT_H
#define PW_MOMENT_H

#include "base/value.h"

typedef struct pw_date {
    int year, month, day, hour, minute, second, millisecond; /* month and day from 1 */
    int weekday, yearday; /* from 0; Sunday is 0 */
} pw_date;

pw_date pw_date_of(int64_t ms);
int64_t pw_date_ms(const pw_date *date); /* members beyond their range carry over; weekday and yearday are ignored */

#define PW_MOMENT_SIZE 25 /* "2026-11-22T20:22:33.123Z" and NUL */
void pw_moment_write(char out[PW_MOMENT_SIZE], int64_t ms);
pw_str pw_moment_text(pw_arena *arena, int64_t ms);
/* RFC 3339: any offset, 0 to 9 digits of fraction (cut to ms). */
PAWL_CHECK pawl_code pw_moment_parse(int64_t *out, pw_str text, pawl_error *err);

/* Years and months need a calendar and stay apart; the rest is ms. Never negative. */
typedef struct pw_duration {
    uint32_t months;
    uint64_t ms;
} pw_duration;

/* ISO 8601 ("P1Y2M3W4DT5H6M7.5S"), "[d.]hh:mm:ss[.fff]", or short ("250ms", "30s", "5m", "2h", "90d"). */
PAWL_CHECK pawl_code pw_duration_parse(pw_duration *out, pw_str text, pawl_error *err);
/* The DSL's object form {days, hours, minutes, seconds, milliseconds}, or a string as above. */
PAWL_CHECK pawl_code pw_duration_of(pw_duration *out, pw_value v, pawl_error *err);
int64_t pw_duration_after(int64_t start_ms, pw_duration duration); /* saturates */
#endif
