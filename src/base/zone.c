/* zone.c - time zones, read from the files of the system's database.
 *
 * A file lists the instants at which the clock was changed, and ends with a rule for all years
 * behind the last of them, in the notation of the variable TZ. What a file may say is bounded here:
 * a zone is read whatever it holds, or refused with an error. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/moment.h"
#include "base/zone.h"

#define TRANSITIONS_MAX 4000u /* the busiest real zone has 250 */
#define DAY ((int64_t)24 * 60 * 60)

/* A day of each year on which the clock is changed. */
typedef struct day_rule {
    enum { RULE_JULIAN, RULE_YEARDAY, RULE_WEEKDAY } kind;
    int day;                  /* JULIAN: 1 to 365, never the 29th of February; YEARDAY: 0 to 365 */
    int month, week, weekday; /* WEEKDAY: week 5 is the last one */
    int32_t time;             /* seconds behind that day's midnight, by the clock of before */
} day_rule;

struct pw_zone {
    pw_str name;
    const int64_t *times;   /* of changes, in order */
    const int32_t *offsets; /* count + 1 of them: before the first change, and from each on */
    uint32_t count;
    bool two; /* behind the last change the clock is changed twice a year */
    int32_t standard, summer;
    day_rule begins, ends; /* of summer time */
};

static pawl_code broken(pawl_error *err, pw_str name, const char *what)
{
    return pw_fail(err, PAWL_INVALID, "the file of time zone '" PW_FMT "' is broken: %s",
                   PW_ARG(name), what);
}

/* ------------------------------------------------------------------ the rule for years to come */

typedef struct reader {
    const char *at, *end;
} reader;

static bool take(reader *r, char c)
{
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static bool take_number(reader *r, int low, int high, int *out)
{
    int number = 0, digits = 0;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9' && digits < 4; r->at++, digits++)
        number = number * 10 + (*r->at - '0');
    *out = number;
    return digits > 0 && number >= low && number <= high;
}

/* [+-]hh[:mm[:ss]], in seconds. */
static bool take_time(reader *r, int hours_max, int32_t *out)
{
    int hours, minutes = 0, seconds = 0;
    bool minus = take(r, '-');
    if (!minus)
        (void)take(r, '+');
    if (!take_number(r, 0, hours_max, &hours) ||
        (take(r, ':') &&
         (!take_number(r, 0, 59, &minutes) || (take(r, ':') && !take_number(r, 0, 59, &seconds)))))
        return false;
    *out = (minus ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

/* CET, or <+0330>. */
static bool take_name(reader *r)
{
    const char *start = r->at;
    if (take(r, '<')) {
        while (r->at < r->end && *r->at != '>')
            r->at++;
        return take(r, '>');
    }
    while (r->at < r->end && ((*r->at >= 'A' && *r->at <= 'Z') || (*r->at >= 'a' && *r->at <= 'z')))
        r->at++;
    return r->at - start >= 3;
}

static bool take_day(reader *r, day_rule *out)
{
    *out = (day_rule){ .time = 2 * 3600 };
    if (take(r, 'M')) {
        out->kind = RULE_WEEKDAY;
        if (!take_number(r, 1, 12, &out->month) || !take(r, '.') ||
            !take_number(r, 1, 5, &out->week) || !take(r, '.') ||
            !take_number(r, 0, 6, &out->weekday))
            return false;
    } else if (take(r, 'J')) {
        out->kind = RULE_JULIAN;
        if (!take_number(r, 1, 365, &out->day))
            return false;
    } else {
        out->kind = RULE_YEARDAY;
        if (!take_number(r, 0, 365, &out->day))
            return false;
    }
    return !take(r, '/') || take_time(r, 167, &out->time);
}

/* CET-1CEST,M3.5.0,M10.5.0/3: the signs of the offsets are the other way round. */
static bool read_rule(pw_zone *zone, pw_str text)
{
    reader r = { text.ptr, text.ptr + text.len };
    int32_t behind;
    if (!take_name(&r) || !take_time(&r, 24, &behind))
        return false;
    zone->standard = zone->summer = -behind;
    if (r.at == r.end)
        return true;
    zone->two = true;
    zone->summer += 3600;
    if (!take_name(&r))
        return false;
    if (r.at < r.end && *r.at != ',') {
        if (!take_time(&r, 24, &behind))
            return false;
        zone->summer = -behind;
    }
    return take(&r, ',') && take_day(&r, &zone->begins) && take(&r, ',') &&
           take_day(&r, &zone->ends) && r.at == r.end;
}

static int64_t day_of(int year, int month, int day)
{
    pw_date date = { .year = year, .month = month, .day = day };
    return pw_date_ms(&date) / 1000 / DAY; /* a midnight: exact */
}

/* The instant of a change in this year. */
static int64_t change_in(const day_rule *rule, int year, int32_t offset)
{
    int64_t first = day_of(year, 1, 1), day = first;
    bool leap = day_of(year, 3, 1) - day_of(year, 2, 1) == 29;
    switch (rule->kind) {
    case RULE_YEARDAY:
        day = first + rule->day;
        break;
    case RULE_JULIAN:
        day = first + rule->day - 1 + (leap && rule->day > 59);
        break;
    case RULE_WEEKDAY: {
        int64_t month = day_of(year, rule->month, 1), next = day_of(year, rule->month + 1, 1);
        int weekday = pw_date_of(month * DAY * 1000).weekday;
        day = month + (rule->weekday - weekday + 7) % 7 + (int64_t)7 * (rule->week - 1);
        if (day >= next)
            day -= 7;
        break;
    }
    }
    return day * DAY + rule->time - offset;
}

typedef struct change {
    int64_t at;
    int32_t offset;
} change;

/* In order; where summer time ends when the next one begins, it goes on. */
static void sort(change *changes, size_t count, int32_t summer)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0; j--) {
            change *a = &changes[j - 1], *b = &changes[j];
            if (a->at < b->at || (a->at == b->at && b->offset == summer))
                break;
            change kept = *a;
            *a = *b;
            *b = kept;
        }
}

static pw_zone_span span_by_rule(const pw_zone *zone, int64_t second)
{
    enum { YEARS = 5, CHANGES = 2 * YEARS };
    int64_t last = zone->count ? zone->times[zone->count - 1] : PW_ZONE_FIRST;
    pw_zone_span span = { last, PW_ZONE_LAST, zone->offsets[zone->count] };
    if (!zone->two)
        return span;
    change changes[CHANGES];
    int64_t most = INT64_MAX / 1000;
    int year = pw_date_of((second > most ? most : second < -most ? -most : second) * 1000).year;
    for (int i = 0; i < YEARS; i++) { /* two years are enough for a rule that changes in each */
        int in = year - YEARS / 2 + i;
        changes[2 * i] = (change){ change_in(&zone->begins, in, zone->standard), zone->summer };
        changes[2 * i + 1] = (change){ change_in(&zone->ends, in, zone->summer), zone->standard };
    }
    sort(changes, CHANGES, zone->summer);
    for (size_t i = 0; i < CHANGES; i++) {
        if (changes[i].at > second) {
            span.to = changes[i].at;
            break;
        }
        if (changes[i].at > last)
            span.from = changes[i].at;
        if (changes[i].at >= last)
            span.offset = changes[i].offset;
    }
    return span;
}

pw_zone_span pw_zone_span_at(const pw_zone *zone, int64_t second)
{
    uint32_t low = 0, high = zone->count; /* how many changes have been by then */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (zone->times[middle] <= second)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == zone->count)
        return span_by_rule(zone, second);
    return (pw_zone_span){ low ? zone->times[low - 1] : PW_ZONE_FIRST, zone->times[low],
                           zone->offsets[low] };
}

pw_str pw_zone_name(const pw_zone *zone)
{
    return zone->name;
}

/* ------------------------------------------------------------------ files */

static uint64_t big_endian(const char *at, unsigned bytes)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < bytes; i++)
        number = number << 8 | (unsigned char)at[i];
    return number;
}

/* The numbers of a header, in its order. */
enum { IS_UTC, IS_STANDARD, LEAPS, TIMES, TYPES, LETTERS, NUMBERS };
#define HEADER_SIZE 44u

static bool read_header(pw_str bytes, uint32_t numbers[NUMBERS])
{
    if (bytes.len < HEADER_SIZE || memcmp(bytes.ptr, "TZif", 4) != 0)
        return false;
    for (unsigned i = 0; i < NUMBERS; i++)
        numbers[i] = (uint32_t)big_endian(bytes.ptr + 20 + (size_t)4 * i, 4);
    return true;
}

static uint64_t block_size(const uint32_t numbers[NUMBERS], unsigned time_size)
{
    return (uint64_t)numbers[TIMES] * (time_size + 1) + (uint64_t)numbers[TYPES] * 6 +
           numbers[LETTERS] + (uint64_t)numbers[LEAPS] * (time_size + 4) + numbers[IS_STANDARD] +
           numbers[IS_UTC];
}

/* Changes that change the offset; others have a name only. */
static const char *read_changes(pw_zone *zone, const char *block, const uint32_t numbers[NUMBERS],
                                pw_arena *arena)
{
    uint32_t times = numbers[TIMES], types = numbers[TYPES];
    const char *kinds = block + (size_t)times * 8, *offsets = kinds + times;
    if (times > TRANSITIONS_MAX)
        return "it has too many changes";
    if (types == 0 || types > 256)
        return "it has no offsets";
    for (uint32_t i = 0; i < types; i++) {
        int32_t offset = (int32_t)big_endian(offsets + (size_t)6 * i, 4);
        if (offset < -PW_ZONE_OFFSET_MAX || offset > PW_ZONE_OFFSET_MAX)
            return "an offset is more than 26 hours";
    }
    int64_t *at = PW_NEW_ARRAY(arena, int64_t, (size_t)times + 1);
    int32_t *to = PW_NEW_ARRAY(arena, int32_t, (size_t)times + 1);
    if (!at || !to)
        return "";
    int64_t before = PW_ZONE_FIRST;
    uint32_t count = 0;
    to[0] = (int32_t)big_endian(offsets, 4);
    for (uint32_t i = 0; i < times; i++) {
        int64_t time = (int64_t)big_endian(block + (size_t)8 * i, 8);
        unsigned kind = (unsigned char)kinds[i];
        if (kind >= types)
            return "a change has no offset";
        if (i > 0 && time <= before)
            return "its changes are not in order";
        before = time;
        int32_t offset = (int32_t)big_endian(offsets + (size_t)6 * kind, 4);
        if (time <= PW_ZONE_FIRST) {
            to[0] = offset;
        } else if (time < PW_ZONE_LAST && offset != to[count]) {
            at[count++] = time;
            to[count] = offset;
        }
    }
    zone->times = at;
    zone->offsets = to;
    zone->count = count;
    return NULL;
}

pawl_code pw_zone_parse(const pw_zone **out, pw_str name, pw_str bytes, pw_arena *arena,
                        pawl_error *err)
{
    uint32_t numbers[NUMBERS];
    if (!read_header(bytes, numbers))
        return broken(err, name, "it is not a TZif file");
    if (bytes.ptr[4] < '2')
        return broken(err, name, "its version is 1; this program reads 2 and later");
    uint64_t skip = HEADER_SIZE + block_size(numbers, 4); /* the same again, in 32 bits */
    if (skip > bytes.len)
        return broken(err, name, "it ends too early");
    pw_str rest = { bytes.ptr + skip, bytes.len - skip };
    if (!read_header(rest, numbers))
        return broken(err, name, "its second part is missing");
    uint64_t size = block_size(numbers, 8);
    if (size > rest.len - HEADER_SIZE)
        return broken(err, name, "it ends too early");
    if (numbers[LEAPS])
        return broken(err, name, "it counts leap seconds, which the system's clock does not");
    pw_zone *zone = PW_NEW(arena, pw_zone);
    if (!zone)
        return pw_no_memory(err);
    zone->name = pw_arena_str(arena, name);
    const char *wrong = read_changes(zone, rest.ptr + HEADER_SIZE, numbers, arena);
    if (arena->failed)
        return pw_no_memory(err);
    if (wrong)
        return broken(err, name, wrong);
    pw_str rule = { rest.ptr + HEADER_SIZE + size, rest.len - HEADER_SIZE - size };
    if (rule.len < 2 || rule.ptr[0] != '\n' || rule.ptr[rule.len - 1] != '\n')
        return broken(err, name, "it ends too early");
    rule = (pw_str){ rule.ptr + 1, rule.len - 2 };
    if (rule.len && !read_rule(zone, rule))
        return broken(err, name, "the rule at its end cannot be read");
    *out = zone;
    return PAWL_OK;
}

/* Letters, digits, '_', '+', '-' between single '/': so that it names a file below the folder. */
static bool good_name(pw_str name)
{
    bool part = false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '+' || c == '-';
        if (!plain && (c != '/' || !part))
            return false;
        part = plain;
    }
    return part && name.len <= PW_ZONE_NAME_MAX;
}

static void close_file(int *file)
{
    if (*file >= 0)
        (void)close(*file);
}

static pawl_code read_file(char *into, size_t *size, const char *path, pw_str name, pawl_error *err)
{
    PW_AUTO(close_file) int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int why = errno;
    if (file < 0 && (why == ENOENT || why == ENOTDIR))
        return pw_fail(err, PAWL_INVALID,
                       "there is no time zone '" PW_FMT
                       "' (%s): is it a name like Europe/Berlin, and is tzdata installed?",
                       PW_ARG(name), path);
    if (file < 0)
        return pw_fail_native(err, PAWL_IO, why,
                              "time zone '" PW_FMT "' (%s) cannot be read: errno %d", PW_ARG(name),
                              path, why);
    struct stat about;
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode))
        return pw_fail(err, PAWL_INVALID, "'" PW_FMT "' is no time zone (%s is no file)",
                       PW_ARG(name), path);
    *size = 0;
    for (;;) {
        ssize_t got = read(file, into + *size, PW_ZONE_FILE_MAX + 1 - *size);
        why = errno;
        if (got < 0 && why == EINTR)
            continue;
        if (got < 0)
            return pw_fail_native(err, PAWL_IO, why,
                                  "time zone '" PW_FMT "' (%s) cannot be read: errno %d",
                                  PW_ARG(name), path, why);
        if (got == 0)
            return PAWL_OK;
        *size += (size_t)got;
        if (*size > PW_ZONE_FILE_MAX)
            return broken(err, name, "it is too large");
    }
}

static pawl_code utc(const pw_zone **out, pw_str name, pw_arena *arena, pawl_error *err)
{
    pw_zone *zone = PW_NEW(arena, pw_zone);
    int32_t *offset = PW_NEW(arena, int32_t);
    if (!zone || !offset)
        return pw_no_memory(err);
    zone->name = pw_arena_str(arena, name);
    zone->offsets = offset;
    *out = zone;
    return PAWL_OK;
}

pawl_code pw_zone_load(const pw_zone **out, pw_str name, pw_arena *arena, pawl_error *err)
{
    if (pw_str_is(name, "UTC"))
        return utc(out, name, arena, err);
    if (!good_name(name))
        return pw_fail(err, PAWL_INVALID,
                       "'" PW_FMT "' is no name of a time zone, like UTC or Europe/Berlin",
                       PW_ARG(name));
    const char *folder = getenv("TZDIR");
    if (!folder || !*folder)
        folder = "/usr/share/zoneinfo";
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/" PW_FMT, folder, PW_ARG(name));
    if (length < 0 || (size_t)length >= sizeof path)
        return pw_fail(err, PAWL_INVALID, "TZDIR is too long");
    char *bytes = pw_alloc(PW_ZONE_FILE_MAX + 1);
    if (!bytes)
        return pw_no_memory(err);
    jmp_buf *guard = pw_arena_guard(arena, NULL); /* a jump would lose the bytes */
    size_t size = 0;
    pawl_code code = read_file(bytes, &size, path, name, err);
    if (code == PAWL_OK)
        code = pw_zone_parse(out, name, (pw_str){ bytes, size }, arena, err);
    (void)pw_arena_guard(arena, guard);
    pw_free(bytes);
    return code;
}
