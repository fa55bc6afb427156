/* zone.c - time zones, against the C library's reading of the same files, and files that are no
 * good. */
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "test.h"
#include "base/moment.h"
#include "base/zone.h"

static void need_database(void)
{
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0)
        pw_test_skip("tzdata is not installed");
}

static const pw_zone *load(const char *name, pw_arena *arena)
{
    const pw_zone *zone = NULL;
    pawl_error err;
    EXPECT_OK(pw_zone_load(&zone, pw_str_of(name), arena, &err), err);
    return zone;
}

TEST(zone, offsets_are_those_of_the_c_library)
{
    need_database();
    static const char *const names[] = {
        "Europe/Berlin",       "America/New_York",  "Australia/Lord_Howe",
        "Asia/Kolkata",        "America/Sao_Paulo", "Africa/Casablanca",
        "Europe/Dublin",       "Pacific/Apia",      "Asia/Gaza",
        "America/St_Johns",    "Antarctica/Troll",  "Pacific/Kwajalein",
        "Africa/Monrovia",     "America/Nuuk",      "Asia/Tehran",
        "Pacific/Chatham",     "Etc/GMT+12",        "Asia/Kathmandu",
        "Africa/Cairo",        "America/Caracas",   "UTC",
        "Australia/Melbourne", "Europe/Lisbon",     "Asia/Manila",
    };
    pw_arena arena;
    pw_arena_init(&arena, 0);
    for (size_t i = 0; i < PW_LENGTH(names); i++) {
        const pw_zone *zone = load(names[i], &arena);
        (void)setenv("TZ", names[i], 1);
        tzset();
        /* 1890 to 2120; a step that comes to every hour of the day */
        for (int64_t at = -2524608000; at < 4733510400; at += 25 * 3600 + 1) {
            time_t t = (time_t)at;
            struct tm tm;
            if (!localtime_r(&t, &tm))
                fail_msg("localtime_r");
            pw_zone_span span = pw_zone_span_at(zone, at);
            if (span.offset != tm.tm_gmtoff || span.from > at || span.to <= at)
                fail_msg("%s at %lld: %d, not %ld", names[i], (long long)at, span.offset,
                         tm.tm_gmtoff);
        }
    }
    (void)unsetenv("TZ");
    pw_arena_done(&arena);
}

static void expect_change(const char *name, const char *instant, int before, int after)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_error err;
    int64_t ms;
    EXPECT_OK(pw_moment_parse(&ms, pw_str_of(instant), &err), err);
    const pw_zone *zone = load(name, &arena);
    pw_zone_span first = pw_zone_span_at(zone, ms / 1000 - 1);
    pw_zone_span second = pw_zone_span_at(zone, ms / 1000);
    EXPECT_INT(first.to, ms / 1000);
    EXPECT_INT(second.from, ms / 1000);
    EXPECT_INT(first.offset, before);
    EXPECT_INT(second.offset, after);
    pw_arena_done(&arena);
}

TEST(zone, a_change_is_where_a_span_ends)
{
    need_database();
    expect_change("Europe/Berlin", "2026-03-29T01:00:00Z", 3600, 7200);
    expect_change("Europe/Berlin", "2026-10-25T01:00:00Z", 7200, 3600);
    expect_change("Europe/Berlin", "2499-10-25T01:00:00Z", 7200,
                  3600); /* by the rule of the last line */
    expect_change("America/New_York", "2027-03-14T07:00:00Z", -18000, -14400);
    expect_change("Australia/Lord_Howe", "2026-10-03T15:30:00Z", 37800, 39600); /* half an hour */
    expect_change("America/Sao_Paulo", "2018-11-04T03:00:00Z", -10800, -7200);
    expect_change("Pacific/Apia", "2011-12-30T10:00:00Z", -36000, 50400); /* a day was left out */
}

TEST(zone, what_is_no_name_of_a_zone_is_refused)
{
    static const struct {
        const char *name, *message;
    } cases[] = {
        { "", "'' is no name of a time zone, like UTC or Europe/Berlin" },
        { "/etc/localtime",
          "'/etc/localtime' is no name of a time zone, like UTC or Europe/Berlin" },
        { "../../etc/passwd",
          "'../../etc/passwd' is no name of a time zone, like UTC or Europe/Berlin" },
        { "Europe/../UTC", "'Europe/../UTC' is no name of a time zone, like UTC or Europe/Berlin" },
        { "Europe/", "'Europe/' is no name of a time zone, like UTC or Europe/Berlin" },
        { "Europe//Berlin",
          "'Europe//Berlin' is no name of a time zone, like UTC or Europe/Berlin" },
        { "Europe Berlin", "'Europe Berlin' is no name of a time zone, like UTC or Europe/Berlin" },
        { "a.tab", "'a.tab' is no name of a time zone, like UTC or Europe/Berlin" },
        { "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg",
          "'aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg' is no name of a "
          "time "
          "zone, like UTC or Europe/Berlin" },
        { "Europe/Atlantis",
          "there is no time zone 'Europe/Atlantis' (/usr/share/zoneinfo/Europe/Atlantis): "
          "is it a name like Europe/Berlin, and is tzdata installed?" },
        { "Europe/Berlin/x",
          "there is no time zone 'Europe/Berlin/x' (/usr/share/zoneinfo/Europe/Berlin/x): "
          "is it a name like Europe/Berlin, and is tzdata installed?" },
        { "Europe", "'Europe' is no time zone (/usr/share/zoneinfo/Europe is no file)" },
    };
    need_database();
    pw_arena arena;
    pw_arena_init(&arena, 0);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        const pw_zone *zone = NULL;
        pawl_error err;
        EXPECT_INT(pw_zone_load(&zone, pw_str_of(cases[i].name), &arena, &err), PAWL_INVALID);
        EXPECT_TEXT(err.message, cases[i].message);
    }
    pw_arena_done(&arena);
}

TEST(zone, utc_needs_no_database)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    (void)setenv("TZDIR", pw_test_dir(), 1);
    pw_zone_span span = pw_zone_span_at(load("UTC", &arena), 1795378953);
    const pw_zone *zone = NULL;
    pawl_error err;
    pawl_code code = pw_zone_load(&zone, PW_LIT("Europe/Berlin"), &arena, &err);
    (void)unsetenv("TZDIR");
    EXPECT_INT(span.offset, 0);
    EXPECT(span.from == PW_ZONE_FIRST && span.to == PW_ZONE_LAST);
    EXPECT_INT(code, PAWL_INVALID);
    pw_arena_done(&arena);
}

/* A file in the making: version 2, with one part in 32 bits that is empty. */
typedef struct file {
    pw_buf buf;
} file;

static void put(file *f, uint64_t number, int bytes)
{
    while (bytes-- > 0)
        pw_buf_char(&f->buf, bytes < 8 ? (char)(number >> 8 * bytes) : '\0');
}

static void header(file *f, char version, uint32_t leaps, uint32_t times, uint32_t types,
                   uint32_t letters)
{
    pw_buf_text(&f->buf, "TZif");
    pw_buf_char(&f->buf, version);
    put(f, 0, 15);
    put(f, 0, 4);
    put(f, 0, 4);
    put(f, leaps, 4);
    put(f, times, 4);
    put(f, types, 4);
    put(f, letters, 4);
}

static file begin(uint32_t leaps, uint32_t times, uint32_t types)
{
    file f;
    pw_buf_init(&f.buf, 0);
    header(&f, '2', 0, 0, 1, 4);
    put(&f, 0, 6);
    pw_buf_add(&f.buf, "UTC", 4);
    header(&f, '2', leaps, times, types, 4);
    return f;
}

static void expect_broken(file *f, const char *message)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    const pw_zone *zone = NULL;
    pawl_error err;
    EXPECT_INT(pw_zone_parse(&zone, PW_LIT("X"), pw_buf_view(&f->buf), &arena, &err), PAWL_INVALID);
    char full[200];
    (void)snprintf(full, sizeof full, "the file of time zone 'X' is broken: %s", message);
    EXPECT_TEXT(err.message, full);
    pw_arena_done(&arena);
    pw_buf_done(&f->buf);
}

/* Two changes, to type 1 at `first` and to type 0 at `second`; the offset of type 1; the last line.
 */
static file two_changes(int64_t first, int64_t second, int32_t offset, const char *rule)
{
    file f = begin(0, 2, 2);
    put(&f, (uint64_t)first, 8);
    put(&f, (uint64_t)second, 8);
    put(&f, 1, 1);
    put(&f, 0, 1);
    put(&f, 0, 6);
    put(&f, (uint32_t)offset, 4);
    put(&f, 0, 2);
    pw_buf_add(&f.buf, "UTC", 4);
    pw_buf_text(&f.buf, rule);
    return f;
}

TEST(zone, a_file_that_is_no_good_is_refused)
{
    file f;
    pw_buf_init(&f.buf, 0);
    pw_buf_text(&f.buf, "TZif2");
    expect_broken(&f, "it is not a TZif file");
    pw_buf_init(&f.buf, 0);
    header(&f, '\0', 0, 0, 0, 0);
    expect_broken(&f, "its version is 1; this program reads 2 and later");
    pw_buf_init(&f.buf, 0);
    header(&f, '2', 0, UINT32_MAX, UINT32_MAX, UINT32_MAX);
    expect_broken(&f, "it ends too early");
    pw_buf_init(&f.buf, 0);
    header(&f, '2', 0, 0, 0, 0);
    expect_broken(&f, "its second part is missing");
    f = begin(0, 1, 1);
    expect_broken(&f, "it ends too early");
    f = begin(1, 0, 1);
    put(&f, 0, 6 + 4 + 12);
    expect_broken(&f, "it counts leap seconds, which the system's clock does not");
    f = begin(0, 0, 0);
    put(&f, 0, 4);
    expect_broken(&f, "it has no offsets");
    f = begin(0, 5000, 1);
    put(&f, 0, 5000 * 9 + 6 + 4);
    expect_broken(&f, "it has too many changes");
    f = two_changes(1000, 1000, 60, "\n\n");
    expect_broken(&f, "its changes are not in order");
    f = two_changes(1000, 2000, 26 * 3600 + 1, "\n\n");
    expect_broken(&f, "an offset is more than 26 hours");
    f = two_changes(1000, 2000, 60, "\n");
    expect_broken(&f, "it ends too early");
    f = begin(0, 1, 1);
    put(&f, 1000, 8);
    put(&f, 1, 1);
    put(&f, 0, 6 + 4);
    pw_buf_text(&f.buf, "\n\n");
    expect_broken(&f, "a change has no offset");
}

TEST(zone, a_rule_that_is_no_good_is_refused)
{
    static const char *const rules[] = {
        "\nX\n",
        "\nCET\n",
        "\nCET25\n",
        "\nCET-1CEST\n",
        "\nCET-1CEST,M3.5.0\n",
        "\nCET-1CEST,M13.5.0,M10.5.0\n",
        "\nCET-1CEST,M3.6.0,M10.5.0\n",
        "\nCET-1CEST,M3.5.7,M10.5.0\n",
        "\nCET-1CEST,M3.5.0,M10.5.0/168\n",
        "\nCET-1CEST,J0,J365\n",
        "\nCET-1CEST,0,366\n",
        "\nCET-1CEST,M3.5.0,M10.5.0/3x\n",
        "\n<+03\n",
        "\nCET-1:60\n",
        "\nCET99999999999\n",
    };
    for (size_t i = 0; i < PW_LENGTH(rules); i++) {
        file f = two_changes(1000, 2000, 60, rules[i]);
        expect_broken(&f, "the rule at its end cannot be read");
    }
}

static int offset_by(const char *rule, int64_t second)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    file f = two_changes(1000, 2000, 60, rule);
    const pw_zone *zone = NULL;
    pawl_error err;
    EXPECT_OK(pw_zone_parse(&zone, PW_LIT("X"), pw_buf_view(&f.buf), &arena, &err), err);
    int offset = pw_zone_span_at(zone, second).offset;
    pw_arena_done(&arena);
    pw_buf_done(&f.buf);
    return offset;
}

TEST(zone, rules_of_all_kinds_are_understood)
{
    enum { Y2000 = 946684800, D = 86400 }; /* a leap year */
    EXPECT_INT(offset_by("\n\n", Y2000), 0);
    EXPECT_INT(offset_by("\nABC-1\n", 1500), 60);
    EXPECT_INT(offset_by("\nABC0DEF-2:30,J60/0,J61/0\n", Y2000 + 60 * D - 1), 0);
    EXPECT_INT(offset_by("\nABC0DEF-2:30,J60/0,J61/0\n", Y2000 + 60 * D),
               9000); /* the first of March */
    EXPECT_INT(offset_by("\nABC0DEF-2:30,59/0,60/0\n", Y2000 + 59 * D),
               9000); /* the 29th of February */
    /* until 0:00 of that clock */
    EXPECT_INT(offset_by("\nABC0DEF-2:30,59/0,60/0\n", Y2000 + 60 * D - 9001), 9000);
    EXPECT_INT(offset_by("\nABC0DEF-2:30,59/0,60/0\n", Y2000 + 60 * D - 9000), 0);
    EXPECT_INT(offset_by("\n<+05>-5<+06>,0/0,J365/25\n", Y2000), 21600); /* summer all the year */
    EXPECT_INT(offset_by("\n<+05>-5<+06>,0/0,J365/25\n", Y2000 + 364 * D), 21600);
    EXPECT_INT(offset_by("\nABC0DEF,M1.1.0/-24,M1.1.0/24\n", Y2000 + D),
               3600); /* from Saturday, the first */
}

TEST_MAIN()
