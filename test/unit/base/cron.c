/* cron.c - times that come again: what can be written, known nights, and a walk over all minutes.
 */
#include <stdlib.h>
#include <unistd.h>
#include "test.h"
#include "base/cron.h"
#include "base/moment.h"

static void need_database(void)
{
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0)
        pw_test_skip("tzdata is not installed");
}

static pw_cron parse(const char *text, const char *zone_name, pw_arena *arena)
{
    const pw_zone *zone = NULL;
    pawl_error err;
    pw_cron cron = { 0 };
    EXPECT_OK(pw_zone_load(&zone, pw_str_of(zone_name), arena, &err), err);
    EXPECT_OK(pw_cron_parse(&cron, pw_str_of(text), zone, &err), err);
    return cron;
}

/* The times behind `after`, one blank between two. */
static void expect_times(const char *text, const char *zone, const char *after,
                         const char *expected)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_cron cron = parse(text, zone, &arena);
    pawl_error err;
    int64_t at;
    EXPECT_OK(pw_moment_parse(&at, pw_str_of(after), &err), err);
    pw_buf got;
    pw_buf_init(&got, 0);
    size_t count = (strlen(expected) + 1) / sizeof "2026-01-01T00:00Z";
    for (size_t i = 0; i < count; i++) {
        char moment[PW_MOMENT_SIZE];
        at = pw_cron_next(&cron, at);
        pw_moment_write(moment, at);
        EXPECT_TEXT(moment + 16, ":00.000Z");
        pw_buf_printf(&got, "%s%.16sZ", i ? " " : "", moment);
    }
    pw_buf_char(&got, '\0');
    EXPECT_TEXT(got.ptr, expected);
    pw_buf_done(&got);
    pw_arena_done(&arena);
}

TEST(cron, fields_mean_what_they_mean_to_cron)
{
    const char *now = "2026-11-22T20:22:33.123Z"; /* a Sunday */
    expect_times("* * * * *", "UTC", now, "2026-11-22T20:23Z 2026-11-22T20:24Z");
    expect_times("*/15 * * * *", "UTC", now,
                 "2026-11-22T20:30Z 2026-11-22T20:45Z 2026-11-22T21:00Z");
    expect_times("5-59/20 3 * * *", "UTC", now,
                 "2026-11-23T03:05Z 2026-11-23T03:25Z 2026-11-23T03:45Z");
    expect_times("0 9-17/4,20 * * 1-5", "UTC", now,
                 "2026-11-23T09:00Z 2026-11-23T13:00Z 2026-11-23T17:00Z");
    expect_times("0 0 31 * *", "UTC", now, "2026-12-31T00:00Z 2027-01-31T00:00Z 2027-03-31T00:00Z");
    expect_times("0 0 29 feb *", "UTC", now, "2028-02-29T00:00Z 2032-02-29T00:00Z");
    expect_times("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00Z");
    expect_times("30 6 * JAN,Jul Mon", "UTC", now, "2027-01-04T06:30Z 2027-01-11T06:30Z");
    expect_times("0 0 * * 7", "UTC", now, "2026-11-29T00:00Z 2026-12-06T00:00Z");
    expect_times("0 0 * * fri-sun", "UTC", now,
                 "2026-11-27T00:00Z 2026-11-28T00:00Z 2026-11-29T00:00Z");
    expect_times("@hourly", "UTC", now, "2026-11-22T21:00Z");
    expect_times("@daily", "UTC", now, "2026-11-23T00:00Z");
    expect_times("@midnight", "UTC", now, "2026-11-23T00:00Z");
    expect_times("@weekly", "UTC", now, "2026-11-29T00:00Z");
    expect_times("@monthly", "UTC", now, "2026-12-01T00:00Z");
    expect_times("@yearly", "UTC", now, "2027-01-01T00:00Z");
    expect_times(" \t@annually ", "UTC", now, "2027-01-01T00:00Z");
    expect_times("23 20 22 11 *", "UTC", "2026-11-22T20:22:59.999Z",
                 "2026-11-22T20:23Z 2027-11-22T20:23Z");
    expect_times("23 20 22 11 *", "UTC", "2026-11-22T20:23:00.000Z", "2027-11-22T20:23Z");
}

TEST(cron, two_kinds_of_days_are_either_unless_one_is_open)
{
    const char *now = "2026-11-22T20:22:33Z";
    /* the first of a month, and every Monday */
    expect_times("0 0 1 * 1", "UTC", now,
                 "2026-11-23T00:00Z 2026-11-30T00:00Z 2026-12-01T00:00Z 2026-12-07T00:00Z");
    /* `*` first: days 1, 8, 15 ... that are Mondays */
    expect_times("0 0 */7 * 1", "UTC", now, "2027-02-01T00:00Z 2027-02-08T00:00Z");
    expect_times("0 0 1 * */2", "UTC", now,
                 "2026-12-01T00:00Z 2027-04-01T00:00Z 2027-05-01T00:00Z");
}

/* In Berlin, 2 o'clock of the 29th of March 2026 is 3 o'clock; on the 25th of October the hour from
 * 2 to 3 comes twice. In New York it is the 8th of March, and the first of November. */
TEST(cron, a_time_that_the_clock_passes_over_comes_behind_the_gap)
{
    need_database();
    expect_times("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z",
                 "2026-03-28T01:30Z 2026-03-29T01:00Z 2026-03-30T00:30Z");
    expect_times("0,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
                 "2026-03-29T01:00Z 2026-03-30T00:00Z 2026-03-30T00:30Z");
    expect_times("0 3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
                 "2026-03-29T01:00Z 2026-03-30T01:00Z");
    expect_times("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z",
                 "2026-03-08T07:00Z 2026-03-09T06:30Z");
    expect_times("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z",
                 "2026-10-03T15:30Z 2026-10-04T15:15Z"); /* 2:00 is 2:30 */
    expect_times("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z",
                 "2018-11-04T03:00Z 2018-11-05T02:00Z"); /* there was no midnight */
    expect_times("0 12 30 12 *", "Pacific/Apia", "2011-01-01T00:00:00Z",
                 "2011-12-30T10:00Z 2012-12-29T22:00Z"); /* there was no 30th */
    expect_times("0 9 * * *", "Asia/Kolkata", "2026-03-28T12:00:00Z",
                 "2026-03-29T03:30Z 2026-03-30T03:30Z");
}

TEST(cron, a_time_that_comes_twice_fires_the_first_time)
{
    need_database();
    expect_times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
                 "2026-10-25T00:30Z 2026-10-26T01:30Z");
    expect_times("0 3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
                 "2026-10-25T02:00Z 2026-10-26T02:00Z");
    expect_times("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z",
                 "2026-11-01T05:30Z 2026-11-02T06:30Z");
    expect_times("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z",
                 "2026-04-04T14:45Z 2026-04-05T15:15Z"); /* 2:00 is 1:30 */
    /* asked between the two */
    expect_times("30 2 * * *", "Europe/Berlin", "2026-10-25T00:45:00Z", "2026-10-26T01:30Z");
}

TEST(cron, a_time_that_is_not_fixed_comes_as_often_as_the_clock_shows_it)
{
    need_database();
    expect_times("30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z",
                 "2026-03-29T00:30Z 2026-03-29T01:30Z 2026-03-29T02:30Z");
    expect_times("30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z",
                 "2026-10-25T00:30Z 2026-10-25T01:30Z 2026-10-25T02:30Z");
    expect_times("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
                 "2026-03-30T00:00Z 2026-03-30T00:30Z");
    expect_times("*/30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
                 "2026-10-25T00:00Z 2026-10-25T00:30Z 2026-10-25T01:00Z 2026-10-25T01:30Z "
                 "2026-10-26T01:00Z");
}

TEST(cron, what_cannot_be_read_is_refused_with_its_place)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "", "minute, character 1: it is missing; there are five fields: minute, hour, day of "
              "month, month, "
              "day of week" },
        { "0 0 * *",
          "day of week, character 8: it is missing; there are five fields: minute, hour, day of "
          "month, month, day of week" },
        { "0 0 * * * *",
          "day of week, character 11: nothing can follow the fifth field; there are no seconds "
          "and no years" },
        { "60 * * * *", "minute, character 1: must be 0 to 59" },
        { "0 24 * * *", "hour, character 3: must be 0 to 23" },
        { "0 0 0 * *", "day of month, character 5: must be 1 to 31" },
        { "0 0 * 13 *", "month, character 7: must be 1 to 12, or jan to dec" },
        { "0 0 * foo *", "month, character 7: must be 1 to 12, or jan to dec" },
        { "0 0 * * 8", "day of week, character 9: must be 0 to 7, or sun to sat" },
        { "0 0 * * mon,tux", "day of week, character 13: must be 0 to 7, or sun to sat" },
        { "30-10 * * * *", "minute, character 4: the range runs backwards" },
        { "5/10 * * * *",
          "minute, character 2: a step needs a range before it, like 5-59/15 or */15" },
        { "*/0 * * * *", "minute, character 3: a step is a number from 1" },
        { "*/ * * * *", "minute, character 3: a step is a number from 1" },
        { "1, * * * *", "minute, character 3: must be 0 to 59" },
        { "-1 * * * *", "minute, character 1: must be 0 to 59" },
        { "0 0 L * *", "day of month, character 5: must be 1 to 31" },
        { "0 0 ? * *", "day of month, character 5: must be 1 to 31" },
        { "0 0 15W * *",
          "day of month, character 7: only numbers, names, '*', '-', '/' and ',' can stand here" },
        { "0 0 * * 5#2",
          "day of week, character 10: only numbers, names, '*', '-', '/' and ',' can stand here" },
        { "0 0 * * monday",
          "day of week, character 12: only numbers, names, '*', '-', '/' and ',' can stand "
          "here" },
        { "0 0 99999999999 * *", "day of month, character 5: must be 1 to 31" },
        { "0 0 31 2 *", "there is no such day in any year" },
        { "0 0 31 2,4,6,9,11 *", "there is no such day in any year" },
        { "@reboot",
          "the names are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually" },
    };
    pw_arena arena;
    pw_arena_init(&arena, 0);
    const pw_zone *zone = NULL;
    pawl_error err;
    EXPECT_OK(pw_zone_load(&zone, PW_LIT("UTC"), &arena, &err), err);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pw_cron cron;
        char full[400];
        EXPECT_INT(pw_cron_parse(&cron, pw_str_of(cases[i].text), zone, &err), PAWL_INVALID);
        (void)snprintf(full, sizeof full, "'%s' is no time for cron%c %s", cases[i].text,
                       cases[i].text[0] == '@' ? ';' : ':', cases[i].message);
        EXPECT_TEXT(err.message, full);
    }
    char *text = malloc(2000);
    memset(text, '1', 2000);
    pw_cron cron;
    EXPECT_INT(pw_cron_parse(&cron, (pw_str){ text, 2000 }, zone, &err), PAWL_INVALID);
    EXPECT_TEXT(err.message, "a time for cron has at most 1024 characters");
    free(text);
    pw_arena_done(&arena);
}

TEST(cron, no_time_comes_behind_the_last_year)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_cron cron = parse("0 0 1 1 *", "UTC", &arena);
    EXPECT(pw_cron_next(&cron, 253370764800000 - 1) == 253370764800000); /* 9999-01-01 */
    EXPECT(pw_cron_next(&cron, 253370764800000) == PW_CRON_NEVER);
    EXPECT(pw_cron_next(&cron, INT64_MAX) == PW_CRON_NEVER);
    pw_arena_done(&arena);
}

/* ------------------------------------------------------------------ a walk over all minutes */

/* What the walk needs of an expression: whether the field holds the number, read anew for every
 * question. */
static bool holds(const char *field, size_t len, int number, int low, int high)
{
    size_t at = 0;
    while (at < len) {
        int from = low, to = high, step = 1;
        if (field[at] == '*') {
            at++;
        } else {
            char *end;
            from = to = (int)strtol(field + at, &end, 10);
            if (*end == '-')
                to = (int)strtol(end + 1, &end, 10);
            at = (size_t)(end - field);
        }
        if (at < len && field[at] == '/') {
            char *end;
            step = (int)strtol(field + at + 1, &end, 10);
            at = (size_t)(end - field);
        }
        for (int i = from; i <= to; i += step)
            if (i == number)
                return true;
        at++; /* the comma */
    }
    return false;
}

static bool matches(const char *text, int64_t local)
{
    static const int lows[] = { 0, 0, 1, 1, 0 }, highs[] = { 59, 23, 31, 12, 7 };
    pw_date d = pw_date_of(local * 1000);
    int numbers[] = { d.minute, d.hour, d.day, d.month, d.weekday };
    bool good[5], open[5];
    for (int i = 0; i < 5; i++) {
        size_t len = strcspn(text, " ");
        open[i] = *text == '*';
        good[i] = holds(text, len, numbers[i], lows[i], highs[i]) ||
                  (i == 4 && d.weekday == 0 && holds(text, len, 7, 0, 7));
        text += len + (text[len] == ' ');
    }
    bool day = open[2] || open[4] ? good[2] && good[4] : good[2] || good[4];
    return good[0] && good[1] && day && good[3];
}

/* Second by second would be the definition; all changes of these years are at full minutes. */
static void walk(const char *text, const char *zone_name, const char *from, const char *to)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_error err;
    int64_t start, end;
    EXPECT_OK(pw_moment_parse(&start, pw_str_of(from), &err), err);
    EXPECT_OK(pw_moment_parse(&end, pw_str_of(to), &err), err);
    pw_cron cron = parse(text, zone_name, &arena);
    const char *hour = strchr(text, ' ') + 1;
    bool fixed = *text != '*' && *hour != '*';
    int64_t shown = 0; /* the minutes before this one were shown */
    int64_t next = pw_cron_next(&cron, start - 1);
    for (int64_t at = start / 1000 - 2 * 86400; at < end / 1000; at += 60) {
        int64_t local = at + pw_zone_span_at(cron.zone, at).offset;
        bool fires = matches(text, local);
        if (fixed) {
            fires = false;
            for (int64_t minute = shown ? shown : local; minute <= local; minute += 60)
                fires = fires || matches(text, minute);
            if (local + 60 > shown)
                shown = local + 60;
        }
        if (at * 1000 < start || !fires)
            continue;
        if (next != at * 1000)
            fail_msg("%s in %s: after %lld comes %lld", text, zone_name, (long long)at,
                     (long long)next);
        next = pw_cron_next(&cron, next);
    }
    EXPECT(next >= end);
    pw_arena_done(&arena);
}

TEST(cron, next_is_what_a_walk_over_all_minutes_finds)
{
    need_database();
    static const char *const texts[] = {
        "* * * * *",       "*/7 * * * *",    "0 * * * *",       "30 2 * * *",
        "15,45 1-3 * * *", "0 0 * * *",      "59 23 * * *",     "*/20 2 * * *",
        "10 */3 * * *",    "0 0 1 * *",      "0 12 13 * 5",     "0 2 * * 0",
        "5 1,2,3 */2 * *", "0 0 */10 * 1-5", "0 3 29 2 *",      "1-59/29 0-6 * 3,4,10,11 *",
        "30 0 31 */2 *",   "0 2 * 3 7",      "45 23 28-31 * *", "0 1 * * 1-6/2",
    };
    static const struct {
        const char *zone, *from, *to;
    } places[] = {
        { "UTC", "2027-11-01T00:00:00Z", "2028-03-10T00:00:00Z" },
        { "Europe/Berlin", "2026-03-20T00:00:00Z", "2026-04-05T00:00:00Z" },
        { "Europe/Berlin", "2026-10-20T00:00:00Z", "2026-11-05T00:00:00Z" },
        { "America/New_York", "2026-02-26T00:00:00Z", "2026-03-12T00:00:00Z" },
        { "America/New_York", "2026-10-28T00:00:00Z", "2026-11-09T00:00:00Z" },
        { "Australia/Lord_Howe", "2026-03-30T00:00:00Z", "2026-04-09T00:00:00Z" },
        { "Australia/Lord_Howe", "2026-09-28T00:00:00Z", "2026-10-09T00:00:00Z" },
        { "Asia/Kolkata", "2026-02-20T00:00:00Z", "2026-03-09T00:00:00Z" },
        { "America/Sao_Paulo", "2018-10-30T00:00:00Z", "2018-11-09T00:00:00Z" },
        { "America/Sao_Paulo", "2018-02-12T00:00:00Z", "2018-02-23T00:00:00Z" },
        { "Pacific/Apia", "2011-12-25T00:00:00Z", "2012-01-05T00:00:00Z" },
        { "Africa/Casablanca", "2026-02-10T00:00:00Z", "2026-03-30T00:00:00Z" },
        { "Antarctica/Troll", "2026-03-25T00:00:00Z", "2026-04-02T00:00:00Z" },
        { "Antarctica/Troll", "2026-10-20T00:00:00Z", "2026-11-02T00:00:00Z" },
        { "Pacific/Kwajalein", "1993-08-15T00:00:00Z", "1993-08-29T00:00:00Z" },
    };
    for (size_t i = 0; i < PW_LENGTH(places); i++)
        for (size_t j = 0; j < PW_LENGTH(texts); j++)
            walk(texts[j], places[i].zone, places[i].from, places[i].to);
}

TEST_MAIN()
