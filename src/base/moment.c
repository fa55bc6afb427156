/* moment.c - instants and durations, from and to text.
 *
 * Days are counted in years that begin in March, so that the day that some years have more is their
 * last one; 400 such years always have the same number of days. */
#include <stdio.h>

#include "base/moment.h"

enum {
    MS_SECOND = 1000,
    MS_MINUTE = 60 * MS_SECOND,
    MS_HOUR = 60 * MS_MINUTE,
    MS_DAY = 24 * MS_HOUR,
    ERA_YEARS = 400,
    ERA_DAYS = 146097,
    EPOCH_DAYS = 719468, /* from 0000-03-01 to 1970-01-01 */
};

/* ---- the calendar */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int64_t year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from the epoch to the first of the month, from 1. */
static int64_t days_to_month(int64_t year, int month)
{
    year -= month <= 2;
    int64_t era = floor_div(year, ERA_YEARS), of_era = year - era * ERA_YEARS;
    int64_t from_march = (month + 9) % 12;
    int64_t days = of_era * 365 + of_era / 4 - of_era / 100 + (153 * from_march + 2) / 5;
    return era * ERA_DAYS + days - EPOCH_DAYS;
}

pw_date pw_date_of(int64_t ms)
{
    int64_t days = floor_div(ms, MS_DAY), rest = ms - days * MS_DAY;
    int64_t era = floor_div(days + EPOCH_DAYS, ERA_DAYS);
    int64_t of_era = days + EPOCH_DAYS - era * ERA_DAYS; /* 0 to 146096 */
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (year * 365 + year / 4 - year / 100); /* from the first of March */
    int64_t from_march = (5 * of_year + 2) / 153;
    int month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
    year += era * ERA_YEARS + (month <= 2);
    return (pw_date){
        .year = (int)year,
        .month = month,
        .day = (int)(of_year - (153 * from_march + 2) / 5) + 1,
        .hour = (int)(rest / MS_HOUR),
        .minute = (int)(rest / MS_MINUTE % 60),
        .second = (int)(rest / MS_SECOND % 60),
        .millisecond = (int)(rest % MS_SECOND),
        .weekday = (int)(days + 4 - floor_div(days + 4, 7) * 7), /* the epoch was a Thursday */
        .yearday = (int)(days - days_to_month(year, 1)),
    };
}

static int64_t saturated(__int128 ms)
{
    return ms > INT64_MAX ? INT64_MAX : ms < INT64_MIN ? INT64_MIN : (int64_t)ms;
}

int64_t pw_date_ms(const pw_date *date)
{
    int64_t months = (int64_t)date->month - 1;
    int64_t year = date->year + floor_div(months, 12);
    int64_t days = days_to_month(year, (int)(months - floor_div(months, 12) * 12) + 1);
    __int128 ms = ((__int128)days + date->day - 1) * MS_DAY;
    ms += (__int128)date->hour * MS_HOUR + (__int128)date->minute * MS_MINUTE +
          (__int128)date->second * MS_SECOND + date->millisecond;
    return saturated(ms);
}

/* ---- instants as text */

#define MOMENT_FIRST INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define MOMENT_LAST INT64_C(253402300799999)  /* 9999-12-31T23:59:59.999Z */

static void put_number(char *out, int number, int width)
{
    for (int i = width - 1; i >= 0; i--, number /= 10)
        out[i] = (char)('0' + number % 10);
}

void pw_moment_write(char out[PW_MOMENT_SIZE], int64_t ms)
{
    pw_date d = pw_date_of(ms < MOMENT_FIRST ? MOMENT_FIRST : ms > MOMENT_LAST ? MOMENT_LAST : ms);
    memcpy(out, "0000-00-00T00:00:00.000Z", PW_MOMENT_SIZE);
    put_number(out, d.year, 4);
    put_number(out + 5, d.month, 2);
    put_number(out + 8, d.day, 2);
    put_number(out + 11, d.hour, 2);
    put_number(out + 14, d.minute, 2);
    put_number(out + 17, d.second, 2);
    put_number(out + 20, d.millisecond, 3);
}

pw_str pw_moment_text(pw_arena *arena, int64_t ms)
{
    char text[PW_MOMENT_SIZE];
    pw_moment_write(text, ms);
    return pw_arena_str(arena, (pw_str){ text, PW_MOMENT_SIZE - 1 });
}

/* What is still to be read. */
typedef struct reader {
    const char *at, *end;
} reader;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take(reader *r, char c)
{
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

/* Exactly so many digits. */
static bool take_digits(reader *r, int count, int *out)
{
    int number = 0;
    if (r->end - r->at < count)
        return false;
    for (int i = 0; i < count; i++) {
        if (!is_digit(r->at[i]))
            return false;
        number = number * 10 + (r->at[i] - '0');
    }
    r->at += count;
    *out = number;
    return true;
}

/* Behind a point: 1 to 9 digits, cut to ms. */
static bool take_fraction(reader *r, int *ms)
{
    int count = 0, sum = 0;
    for (; r->at < r->end && is_digit(*r->at); r->at++, count++) {
        if (count < 3)
            sum = sum * 10 + (*r->at - '0');
    }
    for (int i = count; i < 3; i++)
        sum *= 10;
    *ms = sum;
    return count >= 1 && count <= 9;
}

static bool take_date_and_time(reader *r, pw_date *d)
{
    return take_digits(r, 4, &d->year) && take(r, '-') && take_digits(r, 2, &d->month) &&
           take(r, '-') && take_digits(r, 2, &d->day) && (take(r, 'T') || take(r, 't')) &&
           take_digits(r, 2, &d->hour) && take(r, ':') && take_digits(r, 2, &d->minute) &&
           take(r, ':') && take_digits(r, 2, &d->second) &&
           (!take(r, '.') || take_fraction(r, &d->millisecond));
}

static bool take_offset(reader *r, int64_t *offset_ms)
{
    int hours = 0, minutes = 0;
    *offset_ms = 0;
    if (take(r, 'Z') || take(r, 'z'))
        return true;
    bool behind = take(r, '-');
    if ((!behind && !take(r, '+')) || !take_digits(r, 2, &hours) || !take(r, ':') ||
        !take_digits(r, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *offset_ms = (behind ? -1 : 1) * ((int64_t)hours * MS_HOUR + (int64_t)minutes * MS_MINUTE);
    return true;
}

/* A leap second (60) is the next one's beginning: counted time has none. */
static bool in_range(const pw_date *d)
{
    return d->month >= 1 && d->month <= 12 && d->day >= 1 &&
           d->day <= month_days(d->year, d->month) && d->hour <= 23 && d->minute <= 59 &&
           (d->second <= 59 || (d->second == 60 && d->minute == 59));
}

pawl_code pw_moment_parse(int64_t *out, pw_str text, pawl_error *err)
{
    reader r = { text.ptr, text.len ? text.ptr + text.len : text.ptr };
    pw_date date = { 0 };
    int64_t offset_ms = 0;
    if (!take_date_and_time(&r, &date) || !take_offset(&r, &offset_ms) || r.at != r.end)
        return pw_fail(err, PAWL_INVALID,
                       "'" PW_FMT "' is not an instant like 2026-11-22T20:22:33Z or "
                       "2026-11-22T20:22:33.5+02:00",
                       PW_ARG(text));
    int64_t ms = in_range(&date) ? pw_date_ms(&date) - offset_ms : INT64_MAX;
    if (ms < MOMENT_FIRST || ms > MOMENT_LAST)
        return pw_fail(err, PAWL_INVALID, "'" PW_FMT "': there is no such day or time of day",
                       PW_ARG(text));
    *out = ms;
    return PAWL_OK;
}

/* ---- durations */

/* A number with up to nine places: whole + billionths / 10^9. */
typedef struct amount {
    uint64_t whole, billionths;
    bool fraction; /* one was written, be it .0 */
} amount;

static bool take_amount(reader *r, amount *out)
{
    const char *start = r->at;
    *out = (amount){ 0 };
    for (; r->at < r->end && is_digit(*r->at); r->at++) {
        if (__builtin_mul_overflow(out->whole, 10, &out->whole) ||
            __builtin_add_overflow(out->whole, (uint64_t)(*r->at - '0'), &out->whole))
            return false;
    }
    if (r->at == start)
        return false;
    if (!take(r, '.'))
        return true;
    out->fraction = true;
    uint64_t place = 100000000;
    for (start = r->at; r->at < r->end && is_digit(*r->at); r->at++, place /= 10)
        out->billionths += place * (uint64_t)(*r->at - '0');
    return r->at > start;
}

/* Adds amount * unit_ms; false: more than a duration can hold. */
static bool add_ms(pw_duration *d, amount a, uint64_t unit_ms)
{
    uint64_t ms = 0;
    return !__builtin_mul_overflow(a.whole, unit_ms, &ms) &&
           !__builtin_add_overflow(
               ms, (uint64_t)((unsigned __int128)a.billionths * unit_ms / 1000000000), &ms) &&
           !__builtin_add_overflow(d->ms, ms, &d->ms);
}

/* Whole months only: half a month is no length of time. Half a year is. */
static bool add_months(pw_duration *d, amount a, uint32_t unit_months)
{
    uint64_t months = 0, part = a.billionths * unit_months;
    return part % 1000000000 == 0 && !__builtin_mul_overflow(a.whole, unit_months, &months) &&
           !__builtin_add_overflow(months, part / 1000000000 + d->months, &months) &&
           !__builtin_add_overflow(months, 0, &d->months);
}

/* "P1Y2M3W4DT5H6M7.5S": designators in this order, each at most once, at least one. */
static bool take_iso(reader *r, pw_duration *d)
{
    static const struct {
        char name;
        bool time;
        uint32_t months;
        uint64_t ms;
    } units[] = {
        { 'Y', false, 12, 0 },       { 'M', false, 1, 0 },      { 'W', false, 0, 7ull * MS_DAY },
        { 'D', false, 0, MS_DAY },   { 'H', true, 0, MS_HOUR }, { 'M', true, 0, MS_MINUTE },
        { 'S', true, 0, MS_SECOND },
    };
    size_t next = 0;
    bool any = false, time = false;
    while (r->at < r->end) {
        if (!time && take(r, 'T')) {
            time = true;
            any = false; /* one must follow */
            continue;
        }
        amount a;
        if (!take_amount(r, &a) || r->at == r->end)
            return false;
        while (next < PW_LENGTH(units) && (units[next].time != time || units[next].name != *r->at))
            next++;
        if (next == PW_LENGTH(units))
            return false;
        bool good = units[next].months ? add_months(d, a, units[next].months)
                                       : add_ms(d, a, units[next].ms);
        if (!good)
            return false;
        r->at++;
        next++;
        any = true;
    }
    return any;
}

/* "[d.]hh:mm:ss[.fff]" */
static bool take_clock(reader *r, pw_duration *d)
{
    const char *colon = memchr(r->at, ':', (size_t)(r->end - r->at));
    const char *point = colon ? memchr(r->at, '.', (size_t)(colon - r->at)) : NULL;
    if (point) {
        reader days = { r->at, point };
        amount a;
        if (!take_amount(&days, &a) || days.at != days.end || !add_ms(d, a, MS_DAY))
            return false;
        r->at = point + 1;
    }
    int hours = 0, minutes = 0, seconds = 0, ms = 0;
    if (!take_digits(r, 2, &hours) || !take(r, ':') || !take_digits(r, 2, &minutes) ||
        !take(r, ':') || !take_digits(r, 2, &seconds) || (take(r, '.') && !take_fraction(r, &ms)))
        return false;
    if (hours > 23 || minutes > 59 || seconds > 59 || r->at != r->end)
        return false;
    uint64_t clock_ms = (uint64_t)hours * MS_HOUR + (uint64_t)minutes * MS_MINUTE +
                        (uint64_t)seconds * MS_SECOND + (uint64_t)ms;
    return !__builtin_add_overflow(d->ms, clock_ms, &d->ms);
}

/* "250ms", "30s", "5m", "2h", "90d" */
static bool take_short(reader *r, pw_duration *d)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {
        { "ms", 1 }, { "s", MS_SECOND }, { "m", MS_MINUTE }, { "h", MS_HOUR }, { "d", MS_DAY },
    };
    amount a;
    if (!take_amount(r, &a))
        return false;
    pw_str unit = { r->at, (size_t)(r->end - r->at) };
    for (size_t i = 0; i < PW_LENGTH(units); i++) {
        if (pw_str_is(unit, units[i].name))
            return add_ms(d, a, units[i].ms);
    }
    return false;
}

pawl_code pw_duration_parse(pw_duration *out, pw_str text, pawl_error *err)
{
    reader r = { text.ptr, text.len ? text.ptr + text.len : text.ptr };
    pw_duration d = { 0 };
    bool good = false;
    if (text.len && take(&r, 'P'))
        good = take_iso(&r, &d);
    else if (text.len && memchr(text.ptr, ':', text.len))
        good = take_clock(&r, &d);
    else if (text.len)
        good = take_short(&r, &d);
    if (!good)
        return pw_fail(err, PAWL_INVALID,
                       "'" PW_FMT "' is not a duration like PT1H30M, P1DT12H, 1.02:30:00 "
                       "([d.]hh:mm:ss) or 90s (ms, s, m, h, d), or it is too long",
                       PW_ARG(text));
    *out = d;
    return PAWL_OK;
}

static bool member_amount(pw_value v, amount *out)
{
    int64_t whole = 0;
    *out = (amount){ 0 };
    if (!pw_integer(v, &whole) || whole < 0)
        return false;
    out->whole = (uint64_t)whole;
    return true;
}

pawl_code pw_duration_of(pw_duration *out, pw_value v, pawl_error *err)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {
        { "days", MS_DAY },       { "hours", MS_HOUR },  { "minutes", MS_MINUTE },
        { "seconds", MS_SECOND }, { "milliseconds", 1 },
    };
    if (pw_is(v, PW_STRING))
        return pw_duration_parse(out, pw_text(v), err);
    if (!pw_is(v, PW_OBJECT) || v.count == 0)
        return pw_fail(err, PAWL_INVALID,
                       "a duration is an object with days, hours, minutes, seconds or "
                       "milliseconds, or text like PT1H30M; this is %s",
                       pw_is(v, PW_OBJECT) ? "an empty object" : pw_type_name(v));
    pw_duration d = { 0 };
    const pw_member *members = pw_members(v);
    for (size_t i = 0; i < v.count; i++) {
        size_t unit = 0;
        amount a;
        while (unit < PW_LENGTH(units) && !pw_str_is(members[i].key, units[unit].name))
            unit++;
        if (unit == PW_LENGTH(units))
            return pw_fail(err, PAWL_INVALID,
                           "'" PW_FMT "' is no part of a duration: days, hours, minutes, seconds "
                           "and milliseconds are",
                           PW_ARG(members[i].key));
        if (!member_amount(members[i].value, &a) || !add_ms(&d, a, units[unit].ms))
            return pw_fail(err, PAWL_INVALID,
                           "'%s' of a duration must be a whole number from 0 on, and not too large",
                           units[unit].name);
    }
    *out = d;
    return PAWL_OK;
}

int64_t pw_duration_after(int64_t start_ms, pw_duration duration)
{
    __int128 ms = start_ms;
    if (duration.months) {
        pw_date date = pw_date_of(start_ms);
        int64_t month = (int64_t)date.month - 1 + duration.months;
        int64_t year = date.year + month / 12;
        int last_day = month_days(year, (int)(month % 12) + 1);
        int day = date.day < last_day ? date.day : last_day; /* Jan 31 and a month: Feb 28 or 29 */
        int64_t days = days_to_month(year, (int)(month % 12) + 1) + day - 1;
        ms = (__int128)days * MS_DAY + (start_ms - floor_div(start_ms, MS_DAY) * MS_DAY);
    }
    return saturated(ms + duration.ms);
}
