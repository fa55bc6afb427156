/* cron.c - times that come again.
 *
 * The search goes through the spans of the zone, in which the clock on the wall runs evenly, and in
 * each by month, day, hour and minute; it skips what cannot match, so that its cost does not depend
 * on how long there is nothing. */
#include "base/cron.h"
#include "base/moment.h"

#define END INT64_C(253402300800) /* of the year 9999 */
#define DAY ((int64_t)24 * 60 * 60)

/* ------------------------------------------------------------------ reading */

typedef struct field {
    const char *name;
    int low, high;
    const char *const *names; /* from low; NULL: none */
} field;

static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may", "jun",
                                           "jul", "aug", "sep", "oct", "nov", "dec" };
static const char *const weekday_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

enum { MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, FIELDS };
static const field fields[FIELDS] = {
    [MINUTE] = { "minute", 0, 59, NULL },
    [HOUR] = { "hour", 0, 23, NULL },
    [DAY_OF_MONTH] = { "day of month", 1, 31, NULL },
    [MONTH] = { "month", 1, 12, month_names },
    [DAY_OF_WEEK] = { "day of week", 0, 7, weekday_names },
};

typedef struct reader {
    pw_str text;
    size_t at;
    const field *field;
    pawl_error *err;
} reader;

static bool wrong(const reader *r, const char *what)
{
    (void)pw_fail(r->err, PAWL_INVALID, "'" PW_FMT "' is no time for cron: %s, character %zu: %s",
                  PW_ARG(r->text), r->field->name, r->at + 1, what);
    return false;
}

static bool out_of_range(const reader *r)
{
    const field *f = r->field;
    (void)pw_fail(r->err, PAWL_INVALID,
                  "'" PW_FMT "' is no time for cron: %s, character %zu: must be %d to %d%s",
                  PW_ARG(r->text), f->name, r->at + 1, f->low, f->high,
                  f->names == month_names ? ", or jan to dec"
                  : f->names              ? ", or sun to sat"
                                          : "");
    return false;
}

static char peek(const reader *r)
{
    return r->at < r->text.len ? r->text.ptr[r->at] : '\0';
}

static bool take(reader *r, char c)
{
    if (r->at == r->text.len || r->text.ptr[r->at] != c)
        return false;
    r->at++;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take_digits(reader *r, int low, int high, int *out)
{
    size_t start = r->at;
    int number = 0;
    for (; is_digit(peek(r)) && r->at - start < 3; r->at++)
        number = number * 10 + (peek(r) - '0');
    if (r->at > start && !is_digit(peek(r)) && number >= low && number <= high) {
        *out = number;
        return true;
    }
    r->at = start;
    return false;
}

/* A number, or one of the field's names in any case. */
static bool take_value(reader *r, int *out)
{
    const field *f = r->field;
    pw_str rest = { r->text.ptr + r->at, r->text.len - r->at };
    for (int i = 0; f->names && rest.len >= 3 && i <= f->high - f->low; i++) {
        const char *name = f->names == weekday_names && i == 7 ? NULL : f->names[i];
        bool same = name != NULL;
        for (int j = 0; same && j < 3; j++)
            same = (rest.ptr[j] | 0x20) == name[j];
        if (same) {
            r->at += 3;
            *out = f->low + i;
            return true;
        }
    }
    return take_digits(r, f->low, f->high, out) || out_of_range(r);
}

/* `*`, a value, or a range; with a step behind a `*` or a range. */
static bool take_part(reader *r, uint64_t *bits)
{
    const field *f = r->field;
    int low = f->low, high = f->high, step = 1;
    bool range = true;
    if (!take(r, '*')) {
        if (!take_value(r, &low))
            return false;
        high = low;
        if ((range = take(r, '-'))) {
            size_t start = r->at;
            if (!take_value(r, &high))
                return false;
            if (f->names == weekday_names && high == 0 && low > 0)
                high = 7; /* fri-sun */
            if (high < low) {
                r->at = start;
                return wrong(r, "the range runs backwards");
            }
        }
    }
    if (peek(r) == '/') {
        if (!range)
            return wrong(r, "a step needs a range before it, like 5-59/15 or */15");
        r->at++;
        if (!take_digits(r, 1, 999, &step))
            return wrong(r, "a step is a number from 1");
    }
    for (int i = low; i <= high; i += step)
        *bits |= UINT64_C(1) << i;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool take_field(reader *r, uint64_t *bits, bool *open)
{
    while (is_blank(peek(r)))
        r->at++;
    if (r->at == r->text.len)
        return wrong(
            r,
            "it is missing; there are five fields: minute, hour, day of month, month, day of week");
    *open = peek(r) == '*';
    *bits = 0;
    do {
        if (!take_part(r, bits))
            return false;
    } while (take(r, ','));
    return r->at == r->text.len || is_blank(peek(r)) ||
           wrong(r, "only numbers, names, '*', '-', '/' and ',' can stand here");
}

static const struct {
    const char *name, *fields;
} nicknames[] = {
    { "@hourly", "0 * * * *" },   { "@daily", "0 0 * * *" },   { "@midnight", "0 0 * * *" },
    { "@weekly", "0 0 * * 0" },   { "@monthly", "0 0 1 * *" }, { "@yearly", "0 0 1 1 *" },
    { "@annually", "0 0 1 1 *" },
};

static bool match_behind(const pw_cron *cron, int64_t low, int64_t limit, int64_t *out);

static pawl_code read_fields(pw_cron *out, pw_str text, const pw_zone *zone, pawl_error *err)
{
    pw_cron cron = { .zone = zone };
    uint64_t bits[FIELDS];
    bool open[FIELDS];
    reader r = { .text = text, .err = err };
    for (size_t i = 0; i < FIELDS; i++) {
        r.field = &fields[i];
        if (!take_field(&r, &bits[i], &open[i]))
            return PAWL_INVALID;
    }
    while (is_blank(peek(&r)))
        r.at++;
    if (r.at < text.len) {
        (void)wrong(&r, "nothing can follow the fifth field; there are no seconds and no years");
        return PAWL_INVALID;
    }
    if (bits[DAY_OF_WEEK] & UINT64_C(1) << 7) /* Sunday too */
        bits[DAY_OF_WEEK] |= 1;
    cron.minutes = bits[MINUTE];
    cron.hours = (uint32_t)bits[HOUR];
    cron.days = (uint32_t)bits[DAY_OF_MONTH];
    cron.months = (uint32_t)bits[MONTH];
    cron.weekdays = (uint32_t)bits[DAY_OF_WEEK];
    cron.days_open = open[DAY_OF_MONTH];
    cron.weekdays_open = open[DAY_OF_WEEK];
    cron.fixed = !open[MINUTE] && !open[HOUR];
    int64_t start = 946684800, years = 146097 * DAY,
            found; /* 2000; after 400 years all days come again */
    if (!match_behind(&cron, start, start + years, &found))
        return pw_fail(err, PAWL_INVALID,
                       "'" PW_FMT "' is no time for cron: there is no such day in any year",
                       PW_ARG(text));
    *out = cron;
    return PAWL_OK;
}

pawl_code pw_cron_parse(pw_cron *out, pw_str text, const pw_zone *zone, pawl_error *err)
{
    while (text.len && is_blank(text.ptr[text.len - 1]))
        text.len--;
    while (text.len && is_blank(text.ptr[0]))
        text = (pw_str){ text.ptr + 1, text.len - 1 };
    if (text.len > PW_CRON_TEXT_MAX)
        return pw_fail(err, PAWL_INVALID, "a time for cron has at most %u characters",
                       PW_CRON_TEXT_MAX);
    if (text.len == 0 || text.ptr[0] != '@')
        return read_fields(out, text, zone, err);
    for (size_t i = 0; i < PW_LENGTH(nicknames); i++)
        if (pw_str_is(text, nicknames[i].name))
            return read_fields(out, pw_str_of(nicknames[i].fields), zone, err);
    return pw_fail(err, PAWL_INVALID,
                   "'" PW_FMT
                   "' is no time for cron; the names are @hourly, @daily, @midnight, @weekly, "
                   "@monthly, @yearly and @annually",
                   PW_ARG(text));
}

/* ------------------------------------------------------------------ searching */

static bool day_matches(const pw_cron *cron, const pw_date *date)
{
    bool by_day = cron->days & PW_BIT(date->day),
         by_weekday = cron->weekdays & PW_BIT(date->weekday);
    return cron->days_open || cron->weekdays_open ? by_day && by_weekday : by_day || by_weekday;
}

/* The first minute of the clock on the wall, from `low` and before `limit` (in seconds, as if it
 * were UTC), that matches. */
static bool match_behind(const pw_cron *cron, int64_t low, int64_t limit, int64_t *out)
{
    int64_t at = low, odd = at % 60;
    if (odd)
        at += odd < 0 ? -odd : 60 - odd;
    while (at < limit) {
        pw_date date = pw_date_of(at * 1000);
        if (!(cron->months & PW_BIT(date.month))) {
            pw_date next = { .year = date.year, .month = date.month + 1, .day = 1 };
            at = pw_date_ms(&next) / 1000;
        } else if (!day_matches(cron, &date)) {
            at += DAY - date.hour * 3600 - date.minute * 60;
        } else if (!(cron->hours & PW_BIT(date.hour))) {
            at += 3600 - date.minute * 60;
        } else if (!(cron->minutes & UINT64_C(1) << date.minute)) {
            at += 60;
        } else {
            *out = at;
            return true;
        }
    }
    return false;
}

/* The first second that the clock has not shown before this span; the same or a later one. It
 * cannot have shown more than two offsets ago, so spans before that need not be looked at. */
static int64_t shown_before(const pw_cron *cron, const pw_zone_span *span)
{
    int64_t shown = INT64_MIN;
    for (int64_t from = span->from;
         from > PW_ZONE_FIRST && span->from - from <= 2 * PW_ZONE_OFFSET_MAX;) {
        pw_zone_span before = pw_zone_span_at(cron->zone, from - 1);
        if (before.to + before.offset > shown)
            shown = before.to + before.offset;
        from = before.from;
    }
    return shown;
}

int64_t pw_cron_next(const pw_cron *cron, int64_t after_ms)
{
    int64_t at = after_ms / 1000 - (after_ms % 1000 < 0) + 1;
    while (at < END) {
        pw_zone_span span = pw_zone_span_at(cron->zone, at);
        int64_t low = at + span.offset, local;
        int64_t shown = cron->fixed ? shown_before(cron, &span) : INT64_MIN;
        if (shown > low || (shown > INT64_MIN && at == span.from))
            low = shown; /* not a second time; or what was passed over comes now */
        int64_t limit = (span.to < END ? span.to : END) + span.offset;
        if (match_behind(cron, low, limit, &local))
            return (local - span.offset < at ? at : local - span.offset) * 1000;
        at = span.to;
    }
    return PW_CRON_NEVER;
}
