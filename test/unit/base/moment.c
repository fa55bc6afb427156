/* moment.c - instants and durations. */
#include "test.h"
#include "base/json.h"
#include "base/moment.h"

TEST(moment, known_instants_as_text)
{
    // clang-format off
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { 951782400000, "2000-02-29T00:00:00.000Z" },
        { 1709251199999, "2024-02-29T23:59:59.999Z" },
        { 4107542400000, "2100-03-01T00:00:00.000Z" },
        { 1795378953123, "2026-11-22T20:22:33.123Z" },
        { -62167219200000, "0000-01-01T00:00:00.000Z" },
        { 253402300799999, "9999-12-31T23:59:59.999Z" },
        { INT64_MAX, "9999-12-31T23:59:59.999Z" }, /* what has no four-digit year: the nearest */
        { INT64_MIN, "0000-01-01T00:00:00.000Z" },
    };
    // clang-format on
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        char text[PW_MOMENT_SIZE];
        pw_moment_write(text, cases[i].ms);
        EXPECT_TEXT(text, cases[i].text);
    }
}

TEST(moment, a_date_has_its_weekday_and_yearday)
{
    pw_date d = pw_date_of(1795378953123); /* a Sunday */
    EXPECT_INT(d.year, 2026);
    EXPECT_INT(d.month, 11);
    EXPECT_INT(d.day, 22);
    EXPECT_INT(d.hour, 20);
    EXPECT_INT(d.minute, 22);
    EXPECT_INT(d.second, 33);
    EXPECT_INT(d.millisecond, 123);
    EXPECT_INT(d.weekday, 0);
    EXPECT_INT(d.yearday, 325);
    EXPECT_INT(pw_date_of(0).weekday, 4);
    EXPECT_INT(pw_date_of(-1).weekday, 3);
    EXPECT_INT(pw_date_of(-1).yearday, 364);
    EXPECT_INT(pw_date_of(978220800000).yearday, 365); /* 2000-12-31 */
}

TEST(moment, every_day_of_eight_centuries_comes_back)
{
    int64_t ms = -11676096000000; /* 1600-01-01 */
    int year = 1600, yearday = 0;
    for (int day = 0; day < 2 * 146097; day++, ms += 86400000) {
        pw_date d = pw_date_of(ms + 12345);
        if (pw_date_ms(&d) != ms + 12345)
            fail_msg("day %d", day);
        if (d.yearday == 0 && day > 0) {
            bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            EXPECT_INT(yearday, leap ? 365 : 364);
            year++;
        }
        yearday = d.yearday;
        EXPECT_INT(d.year, year);
    }
    EXPECT_INT(year, 2399);
}

TEST(moment, members_beyond_their_range_carry_over)
{
    pw_date d = { .year = 2025, .month = 14, .day = 31, .hour = 25, .second = -1 };
    char text[PW_MOMENT_SIZE];
    pw_moment_write(text, pw_date_ms(&d)); /* February 31st 2026 is March 3rd */
    EXPECT_TEXT(text, "2026-03-04T00:59:59.000Z");
    d = (pw_date){ .year = 2026, .month = 0, .day = 1 };
    pw_moment_write(text, pw_date_ms(&d));
    EXPECT_TEXT(text, "2025-12-01T00:00:00.000Z");
    d = (pw_date){ .year = INT32_MAX, .month = 1, .day = 1 };
    EXPECT(pw_date_ms(&d) == INT64_MAX);
}

TEST(moment, rfc_3339_text_is_read)
{
    // clang-format off
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2026-11-22T20:22:33.123Z", 1795378953123 },
        { "2026-11-22t20:22:33.123999999z", 1795378953123 },
        { "2026-11-22T22:22:33.1+02:00", 1795378953100 },
        { "2026-11-22T14:52:33.12-05:30", 1795378953120 },
        { "2026-11-22T20:22:33-00:00", 1795378953000 },
        { "2016-12-31T23:59:60Z", 1483228800000 }, /* a leap second */
        { "2000-02-29T00:00:00Z", 951782400000 },
        { "9999-12-31T23:59:59.999Z", 253402300799999 },
    };
    // clang-format on
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl_error err = { 0 };
        int64_t ms = -5;
        EXPECT_OK(pw_moment_parse(&ms, pw_str_of(cases[i].text), &err), err);
        if (ms != cases[i].ms)
            fail_msg("%s: %lld", cases[i].text, (long long)ms);
    }
}

TEST(moment, other_text_is_refused)
{
    static const char *const cases[] = {
        "",
        "2026-11-22",
        "2026-11-22T20:22:33",
        "2026-11-22 20:22:33Z",
        "2026-11-22T20:22Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T20:60:00Z",
        "2026-11-22T20:00:61Z",
        "2026-11-22T20:00:60Z",
        "2026-11-22T20:22:33.Z",
        "2026-11-22T20:22:33.1234567890Z",
        "2026-11-22T20:22:33+24:00",
        "2026-11-22T20:22:33+0200",
        "2026-11-22T20:22:33+02:60",
        "2026-11-22T20:22:33Zx",
        "+026-11-22T20:22:33Z",
        "26-11-22T20:22:33Z",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl_error err = { 0 };
        int64_t ms = -5;
        if (pw_moment_parse(&ms, pw_str_of(cases[i]), &err) != PAWL_INVALID || ms != -5)
            fail_msg("accepted: %s", cases[i]);
        EXPECT_CONTAINS(err.message, cases[i]);
    }
}

/* ---- durations */

TEST(duration, every_form_is_read)
{
    // clang-format off
    static const struct {
        const char *text;
        uint32_t months;
        uint64_t ms;
    } cases[] = {
        { "PT1S", 0, 1000 },
        { "PT7.5S", 0, 7500 },
        { "PT0.0015S", 0, 1 },
        { "P1Y2M3W4DT5H6M7.5S", 14, 2178367500 },
        { "P1M", 1, 0 },
        { "PT1M", 0, 60000 },
        { "P2W", 0, 1209600000 },
        { "P1.5D", 0, 129600000 },
        { "P0.5Y", 6, 0 },
        { "P0D", 0, 0 },
        { "PT36H", 0, 129600000 },
        { "P1DT12H", 0, 129600000 },
        { "00:00:00", 0, 0 },
        { "02:00:00", 0, 7200000 },
        { "1.00:00:00", 0, 86400000 },
        { "90.00:00:00", 0, 7776000000 },
        { "23:59:59.999", 0, 86399999 },
        { "00:00:00.5", 0, 500 },
        { "00:00:01.1234567", 0, 1123 },
        { "1.02:03:04.005", 0, 93784005 },
        { "250ms", 0, 250 },
        { "30s", 0, 30000 },
        { "5m", 0, 300000 },
        { "2h", 0, 7200000 },
        { "90d", 0, 7776000000 },
        { "1.5h", 0, 5400000 },
        { "0s", 0, 0 },
    };
    // clang-format on
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl_error err = { 0 };
        pw_duration d = { 99, 99 };
        EXPECT_OK(pw_duration_parse(&d, pw_str_of(cases[i].text), &err), err);
        if (d.months != cases[i].months || d.ms != cases[i].ms)
            fail_msg("%s: %u months, %llu ms", cases[i].text, d.months, (unsigned long long)d.ms);
    }
}

TEST(duration, malformed_text_is_refused)
{
    static const char *const cases[] = {
        "",
        "P",
        "PT",
        "P1",
        "1",
        "P1DT",
        "PT1D",
        "P1H",
        "P1S",
        "P1D1Y",
        "P1D2D",
        "PT1S2M",
        "P-1D",
        "-P1D",
        "P1.D",
        "P.5D",
        "P1,5D",
        "P0.1M",
        "P0.3Y",
        "pt1s",
        "PT1Sx",
        "PTT1S",
        "24:00:00",
        "00:60:00",
        "00:00:60",
        "1:00:00",
        "00:00",
        "00:00:0",
        "00:00:00.",
        "1:00:00:00",
        ".00:00:00",
        "-00:00:01",
        "1.2.00:00:00",
        "00:00:00.1234567890",
        "x.00:00:00",
        "00:00:00 ",
        " 00:00:00",
        "aa:bb:cc",
        "s",
        "5",
        "5x",
        "5 s",
        "-5s",
        "1.s",
        "5S",
        "1h30m",
        "0x5s",
        "99999999999999999999s",
        "P99999999999999999999D",
        "P400000000Y",
        "18446744073709551615d",
        "P18446744073709551615D",
        "99999999999999999999.00:00:00",
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl_error err = { 0 };
        pw_duration d = { 99, 99 };
        if (pw_duration_parse(&d, pw_str_of(cases[i]), &err) != PAWL_INVALID || d.ms != 99)
            fail_msg("accepted: %s", cases[i]);
        EXPECT_CONTAINS(err.message, "is not a duration like");
    }
}

static pawl_code duration_of(pw_duration *out, const char *json, pawl_error *err)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value v;
    EXPECT_OK(pw_json_parse(&v, pw_str_of(json), NULL, &arena, err), *err);
    pawl_code code = pw_duration_of(out, v, err);
    pw_arena_done(&arena);
    return code;
}

TEST(duration, the_object_form_adds_its_parts)
{
    pawl_error err = { 0 };
    pw_duration d;
    EXPECT_OK(duration_of(&d,
                          "{\"days\":1,\"hours\":2,\"minutes\":3,\"seconds\":4,"
                          "\"milliseconds\":5}",
                          &err),
              err);
    EXPECT_INT(d.months, 0);
    EXPECT_INT(d.ms, 93784005);
    EXPECT_OK(duration_of(&d, "{\"seconds\":1.0}", &err), err);
    EXPECT_INT(d.ms, 1000);
    EXPECT_OK(duration_of(&d, "\"P1M\"", &err), err);
    EXPECT_INT(d.months, 1);
}

TEST(duration, a_wrong_object_is_refused)
{
    pawl_error err = { 0 };
    pw_duration d;
    EXPECT_INT(duration_of(&d, "{}", &err), PAWL_INVALID);
    EXPECT_CONTAINS(err.message, "an empty object");
    EXPECT_INT(duration_of(&d, "{\"second\":1}", &err), PAWL_INVALID);
    EXPECT_CONTAINS(err.message, "'second' is no part of a duration");
    EXPECT_INT(duration_of(&d, "{\"seconds\":-1}", &err), PAWL_INVALID);
    EXPECT_INT(duration_of(&d, "{\"seconds\":1.5}", &err), PAWL_INVALID);
    EXPECT_INT(duration_of(&d, "{\"seconds\":\"1\"}", &err), PAWL_INVALID);
    EXPECT_INT(duration_of(&d, "{\"days\":9223372036854775807}", &err), PAWL_INVALID);
    EXPECT_INT(duration_of(&d, "5", &err), PAWL_INVALID);
    EXPECT_CONTAINS(err.message, "this is number");
}

TEST(duration, months_keep_the_day_or_take_the_months_last)
{
    // clang-format off
    static const struct {
        const char *start;
        uint32_t months;
        uint64_t ms;
        const char *end;
    } cases[] = {
        { "2026-01-31T12:00:00.500Z", 1, 0, "2026-02-28T12:00:00.500Z" },
        { "2024-01-31T12:00:00.000Z", 1, 0, "2024-02-29T12:00:00.000Z" },
        { "2024-02-29T00:00:00.000Z", 12, 0, "2025-02-28T00:00:00.000Z" },
        { "2024-02-29T00:00:00.000Z", 48, 0, "2028-02-29T00:00:00.000Z" },
        { "2026-11-30T23:59:59.999Z", 3, 1, "2027-03-01T00:00:00.000Z" },
        { "2026-12-31T00:00:00.000Z", 1, 86400000, "2027-02-01T00:00:00.000Z" },
        { "1969-12-31T23:00:00.000Z", 2, 0, "1970-02-28T23:00:00.000Z" },
        { "2026-03-29T00:00:00.000Z", 0, 3600000, "2026-03-29T01:00:00.000Z" },
    };
    // clang-format on
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl_error err = { 0 };
        int64_t start = 0;
        EXPECT_OK(pw_moment_parse(&start, pw_str_of(cases[i].start), &err), err);
        char text[PW_MOMENT_SIZE];
        pw_moment_write(text,
                        pw_duration_after(start, (pw_duration){ cases[i].months, cases[i].ms }));
        EXPECT_TEXT(text, cases[i].end);
    }
}

TEST(duration, adding_saturates)
{
    EXPECT(pw_duration_after(1, (pw_duration){ 0, UINT64_MAX }) == INT64_MAX);
    EXPECT(pw_duration_after(0, (pw_duration){ UINT32_MAX, 0 }) > 0);
    EXPECT(pw_duration_after(INT64_MAX, (pw_duration){ UINT32_MAX, UINT64_MAX }) == INT64_MAX);
    EXPECT(pw_duration_after(INT64_MIN, (pw_duration){ 0, UINT64_MAX }) == INT64_MAX);
}

TEST_MAIN()
