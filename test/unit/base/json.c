/* json.c - reading and writing JSON text. */
#include <float.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>

#include "test.h"
#include "base/json.h"

static pw_arena arena;

static void begin(void)
{
    pw_arena_done(&arena);
    pw_arena_init(&arena, 0);
}

static pw_value read_json(pw_str text)
{
    pawl_error err = { 0 };
    pw_value v = { .type = PW_NONE };
    EXPECT_OK(pw_json_parse(&v, text, NULL, &arena, &err), err);
    return v;
}

static const char *rewritten(const char *text, unsigned style)
{
    pw_str out = pw_json_text(&arena, read_json(pw_str_of(text)), style);
    assert_non_null(out.ptr);
    return out.ptr;
}

/* ---- what is accepted */

TEST(json, text_is_read_and_written_back)
{
    begin();
    // clang-format off
    static const char *const cases[][2] = { /* NULL: unchanged */
        { "null", NULL }, { "true", NULL }, { "false", NULL }, { "\"\"", NULL }, { "[]", NULL }, { "{}", NULL },
        { " \t\r\n1 \n", "1" },
        { "[1,[2,[3,[]]],{}]", NULL },
        { " [ 1 , 2 ] ", "[1,2]" },
        { "{ \"a\" : { \"b\" : [ { } ] } , \"c\" : 1 }", "{\"a\":{\"b\":[{}]},\"c\":1}" },
        { "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"a\\\"\\\\/\\b\\f\\n\\r\\t\"" },
        { "\"\\u0041\\u00e9\\u20AC\\ud834\\udd1e\"", "\"A\xC3\xA9\xE2\x82\xAC\xF0\x9D\x84\x9E\"" },
        { "\"\\u0000\\u001f\\u007f\"", "\"\\u0000\\u001f\\u007f\"" },
        { "\"\xC3\xA9\xF0\x9D\x84\x9E\xE2\x80\xA8\"", NULL },
        { "\"12345678\\n12345678\\t1234567\\u00e9890123456\"", "\"12345678\\n12345678\\t1234567\xC3\xA9" "890123456\"" },
        { "{\"\":1,\"a\\nb\":2}", NULL },
        { "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}" },
        { "[{\"same\":1},{\"same\":2},{\"sane\":3}]", NULL },
    };
    // clang-format on
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        EXPECT_TEXT(rewritten(cases[i][0], PW_JSON_COMPACT),
                    cases[i][1] ? cases[i][1] : cases[i][0]);
}

TEST(json, numbers_keep_their_text)
{
    begin();
    static const char *const kept[] = {
        "0",
        "-0",
        "-1",
        "1.0",
        "1.50",
        "1e3",
        "1E+3",
        "1e-7",
        "0.1e00",
        "-0.0e-0",
        "0e1",
        "1e1000",
        "-1e400",
        "12345678901234567890",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "0.1000000000000000055511151231257827021181583404541015625",
    };
    for (size_t i = 0; i < PW_LENGTH(kept); i++)
        EXPECT_TEXT(rewritten(kept[i], PW_JSON_COMPACT), kept[i]);
    EXPECT_INT(read_json(PW_LIT("-12")).form, PW_FORM_INT);
    EXPECT_INT(read_json(PW_LIT("-0")).form, PW_FORM_LITERAL);
    EXPECT_INT(read_json(PW_LIT("1.0")).form, PW_FORM_LITERAL);
    EXPECT_INT(read_json(PW_LIT("9223372036854775808")).form, PW_FORM_LITERAL);
}

TEST(json, many_duplicate_keys_leave_the_last_of_each)
{
    begin();
    pw_buf text;
    pw_buf_init(&text, 0);
    pw_buf_char(&text, '{');
    for (int i = 0; i < 100000; i++)
        pw_buf_printf(&text, "%s\"k%d\":%d", i ? "," : "", i % 1000, i);
    pw_buf_char(&text, '}');
    pw_value v = read_json(pw_buf_view(&text));
    pw_buf_done(&text);
    EXPECT_INT(v.count, 1000);
    EXPECT_STR(pw_members(v)[0].key, "k0");
    EXPECT_INT(pw_get_lit(v, "k0").as.integer, 99000);
    EXPECT_INT(pw_get_lit(v, "k999").as.integer, 99999);
}

TEST(json, nothing_is_borrowed_from_the_text)
{
    begin();
    char text[] = "{\"key\":[\"plain\",\"esc\\n\",1.50]}";
    pw_value v = read_json(pw_str_of(text));
    memset(text, 'X', sizeof text);
    EXPECT_TEXT(pw_json_text(&arena, v, 0).ptr, "{\"key\":[\"plain\",\"esc\\n\",1.50]}");
}

/* ---- what is refused, and where */

TEST(json, errors_say_line_column_and_reason)
{
    begin();
    // clang-format off
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        { "", "JSON line 1, column 1: expected a value, found the end" },
        { "  \n ", "JSON line 2, column 2: expected a value, found the end" },
        { "{\n  \"a\": 1,\n  b: 2}", "JSON line 3, column 3: expected a key in quotes, found 'b'" },
        { "[1 2]", "JSON line 1, column 4: expected ',' or ']', found '2'" },
        { "{\"a\":1 \"b\"", "JSON line 1, column 8: expected ',' or '}', found '\"'" },
        { "{\"a\" 1}", "JSON line 1, column 6: expected ':' behind the key, found '1'" },
        { "{\"a\":1,}", "JSON line 1, column 8: expected a key in quotes, found '}'" },
        { "[1,]", "JSON line 1, column 4: expected a value, found ']'" },
        { "[1", "JSON line 1, column 3: expected ',' or ']', found the end" },
        { "[1}", "JSON line 1, column 3: expected ',' or ']', found '}'" },
        { "{", "JSON line 1, column 2: expected a key in quotes, found the end" },
        { "1 2", "JSON line 1, column 3: expected nothing more behind the value, found '2'" },
        { "tru", "JSON line 1, column 1: expected a value (a word can only be true, false or null), found 't'" },
        { "nullx", "JSON line 1, column 5: expected nothing more behind the value, found 'x'" },
        { "NaN", "JSON line 1, column 1: expected a value, found 'N'" },
        { "\"\xC3\xA9\xC3\xA9\" x", "JSON line 1, column 6: expected nothing more behind the value, found 'x'" },
        { "01", "JSON line 1, column 1: a number is written like -12, 0.5 or 1e10" },
        { "[1, -]", "JSON line 1, column 5: a number is written like -12, 0.5 or 1e10" },
        { "1.", "JSON line 1, column 1: a number is written like -12, 0.5 or 1e10" },
        { "1e+", "JSON line 1, column 1: a number is written like -12, 0.5 or 1e10" },
        { "[\"abc", "JSON line 1, column 2: the string that begins here does not end" },
        { "\"abc\\", "JSON line 1, column 5: unknown escape; known are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX" },
        { "\"a\\x\"", "JSON line 1, column 3: unknown escape; known are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX" },
        { "\"a\\n", "JSON line 1, column 1: the string that begins here does not end" },
        { "\"a\nb\"", "JSON line 1, column 3: a control character in a string must be written \\u000a" },
        { "\"\\n\x01\"", "JSON line 1, column 4: a control character in a string must be written \\u0001" },
        { "\"\\u12g4\"", "JSON line 1, column 2: \\u must be followed by four hexadecimal digits" },
        { "\"\\u12", "JSON line 1, column 2: \\u must be followed by four hexadecimal digits" },
        { "\"x\\ud834\"", "JSON line 1, column 3: the first half of a surrogate pair stands alone" },
        { "\"x\\ud834\\u0041\"", "JSON line 1, column 3: the first half of a surrogate pair stands alone" },
        { "\"\\udd1e\"", "JSON line 1, column 2: the second half of a surrogate pair stands alone" },
        { "[\"\xFF\"]", "JSON line 1, column 3: the byte 0xFF is not valid UTF-8 here" },
        { "\xEF\xBB\xBF{}", "JSON line 1, column 1: the text must not begin with a byte order mark" },
        { "[\x01]", "JSON line 1, column 2: expected a value, found the byte 0x01" },
        { "'a'", "JSON line 1, column 1: expected a value, found '''" },
        { "]", "JSON line 1, column 1: expected a value, found ']'" },
        { "// x", "JSON line 1, column 1: expected a value, found '/'" },
    };
    // clang-format on
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl_error err = { 0 };
        pw_value v = pw_int(5);
        EXPECT_INT(pw_json_parse(&v, pw_str_of(cases[i].text), NULL, &arena, &err), PAWL_INVALID);
        EXPECT_TEXT(err.message, cases[i].message);
        EXPECT_INT(v.as.integer, 5); /* the output is not touched */
    }
    pw_value v;
    EXPECT_INT(pw_json_parse(&v, (pw_str){ NULL, 0 }, NULL, &arena, NULL), PAWL_INVALID);
    EXPECT_INT(pw_json_parse(&v, PW_LIT("1\0"), NULL, &arena, NULL), PAWL_INVALID);
}

TEST(json, every_cut_of_a_document_is_refused)
{
    begin();
    static const char text[] =
        "{\"a\":[1.5e3,true,null,\"x\\u00e9\\ud834\\udd1e\xC3\xA9\",{}],\"b\":-1}";
    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *exact = malloc(len + 1); /* its end is guarded by the sanitizer */
        memcpy(exact, text, len);
        pw_value v;
        if (pw_json_parse(&v, (pw_str){ exact, len }, NULL, &arena, NULL) != PAWL_INVALID)
            fail_msg("accepted the first %zu bytes", len);
        free(exact);
    }
}

TEST(json, limits_are_exact_and_named)
{
    begin();
    pawl_error err = { 0 };
    pw_value v;
    pw_json_limits limits = { .bytes = 10, .depth = 3 };
    EXPECT_OK(pw_json_parse(&v, PW_LIT("[[[1]],22]"), &limits, &arena, &err), err);
    EXPECT_INT(pw_json_parse(&v, PW_LIT("[[[1]],222]"), &limits, &arena, &err), PAWL_INVALID);
    EXPECT_TEXT(err.message, "JSON of 11 bytes is larger than the limit of 10 bytes");
    EXPECT_INT(pw_json_parse(&v, PW_LIT("[{\"\":[[]"), &limits, &arena, &err), PAWL_INVALID);
    EXPECT_TEXT(err.message,
                "JSON line 1, column 7: nested deeper than the limit of 3 levels (depth)");
}

TEST(json, depth_goes_to_ten_thousand)
{
    begin();
    enum { DEPTH = 10000 };
    char *text = malloc(2 * DEPTH + 2);
    memset(text, '[', DEPTH);
    memset(text + DEPTH, ']', DEPTH);
    pw_value v = read_json((pw_str){ text, 2 * DEPTH });
    pw_str back = pw_json_text(&arena, v, 0);
    EXPECT(pw_str_eq(back, (pw_str){ text, 2 * DEPTH }));
    memset(text, '[', DEPTH + 1);
    memset(text + DEPTH + 1, ']', DEPTH + 1);
    pawl_error err = { 0 };
    EXPECT_INT(pw_json_parse(&v, (pw_str){ text, 2 * DEPTH + 2 }, NULL, &arena, &err),
               PAWL_INVALID);
    EXPECT_CONTAINS(err.message, "limit of 10000 levels");
    free(text);
}

/* ---- styles */

TEST(json, pretty_is_as_jq_prints)
{
    begin();
    EXPECT_TEXT(rewritten("{\"b\":[1,{\"x\":null},[],{}],\"a\":{\"y\":\"z\"}}", PW_JSON_PRETTY),
                "{\n"
                "  \"b\": [\n"
                "    1,\n"
                "    {\n"
                "      \"x\": null\n"
                "    },\n"
                "    [],\n"
                "    {}\n"
                "  ],\n"
                "  \"a\": {\n"
                "    \"y\": \"z\"\n"
                "  }\n"
                "}");
}

TEST(json, sorted_has_keys_by_code_point_at_every_level)
{
    begin();
    EXPECT_TEXT(rewritten("{\"b\":{\"d\":1,\"c\":1.0},\"\xC3\xA9\":1,\"a\":1}", PW_JSON_SORTED),
                "{\"a\":1,\"b\":{\"c\":1.0,\"d\":1},\"\xC3\xA9\":1}");
    EXPECT_TEXT(
        rewritten("{\"j\":1,\"i\":1,\"h\":1,\"g\":1,\"f\":1,\"e\":1,\"d\":1,\"c\":1,\"b\":1,"
                  "\"a\":1}",
                  PW_JSON_SORTED),
        "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1}");
}

TEST(json, canonical_is_one_text_for_one_value)
{
    begin();
    // clang-format off
    static const char *const cases[][2] = {
        { "1", "1" }, { "1.0", "1" }, { "1e0", "1" }, { "-0", "0" }, { "0.0e5", "0" }, { "-1.50", "-1.5" },
        { "100e-2", "1" }, { "1e3", "1000" }, { "1.5e3", "1500" }, { "1e20", "100000000000000000000" },
        { "1e21", "1e+21" }, { "12e20", "1.2e+21" }, { "0.000001", "0.000001" }, { "1e-7", "1e-7" },
        { "0.00000012", "1.2e-7" }, { "123.4560", "123.456" }, { "1234560e-4", "123.456" },
        { "12345678901234567890", "12345678901234567890" },
        { "1e1000000000", "1e+1000000000" }, { "10e999999999", "1e+1000000000" },
        { "1.0e99999999999999999999", "1e+99999999999999999999" },
        { "10e99999999999999999999", "1e+100000000000000000000" },
        { "0.01e100000000000000000001", "1e+99999999999999999999" },
        { "10e-100000000000000000000", "1e-99999999999999999999" },
        { "0.1e-99999999999999999999", "1e-100000000000000000000" },
        { "{\"b\":1.0,\"a\":[2e0]}", "{\"a\":[2],\"b\":1}" },
    };
    // clang-format on
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        EXPECT_TEXT(rewritten(cases[i][0], PW_JSON_CANONICAL), cases[i][1]);
    EXPECT_TEXT(pw_json_text(&arena, pw_real(1e21), PW_JSON_CANONICAL).ptr, "1e+21");
    EXPECT_TEXT(pw_json_text(&arena, pw_real(0.1), PW_JSON_CANONICAL).ptr, "0.1");
}

TEST(json, every_byte_is_written_right_wherever_it_stands)
{
    begin();
    static const char hex[] = "0123456789abcdef", escaped[] = "\"\\\b\f\n\r\t";
    for (unsigned c = 0; c < 128; c++)
        for (size_t at = 0; at < 20; at++)
            for (size_t len = at + 1; len <= 20; len++) {
                char text[20], expected[32] = "\"";
                size_t n = 1;
                memset(text, 'x', sizeof text);
                text[at] = (char)c;
                const char *named = memchr(escaped, (int)c, sizeof escaped - 1);
                for (size_t i = 0; i < len; i++) {
                    if (i != at || (!named && c >= 0x20 && c != 0x7f)) {
                        expected[n++] = text[i];
                    } else if (named) {
                        expected[n++] = '\\';
                        expected[n++] = "\"\\bfnrt"[named - escaped];
                    } else {
                        memcpy(expected + n, "\\u00", 4);
                        expected[n + 4] = hex[c >> 4];
                        expected[n + 5] = hex[c & 15];
                        n += 6;
                    }
                }
                expected[n++] = '"';
                expected[n] = '\0';
                pw_arena_mark mark = pw_arena_at(&arena);
                pw_str out = pw_json_text(&arena, pw_string_ref((pw_str){ text, len }), 0);
                if (strcmp(out.ptr, expected) != 0)
                    EXPECT_TEXT(out.ptr, expected);
                pw_arena_rewind(&arena, mark);
            }
    pw_str high = PW_LIT("abcdef\xc3\xa4gh\xe2\x82\xac\xf0\x9f\x98\x80ij");
    EXPECT_TEXT(pw_json_text(&arena, pw_string_ref(high), 0).ptr,
                "\"abcdef\xc3\xa4gh\xe2\x82\xac\xf0\x9f\x98\x80ij\"");
}

TEST(json, integers_are_written_to_their_last_digit)
{
    begin();
    static const struct {
        int64_t n;
        const char *text;
    } cases[] = {
        { 0, "0" },
        { -1, "-1" },
        { 9, "9" },
        { 10, "10" },
        { -100, "-100" },
        { 1234567890123, "1234567890123" },
        { INT64_MAX, "9223372036854775807" },
        { INT64_MIN, "-9223372036854775808" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        EXPECT_TEXT(pw_json_text(&arena, pw_int(cases[i].n), 0).ptr, cases[i].text);
}

TEST(json, none_is_not_json)
{
    begin();
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_json_write(&buf, (pw_value){ .type = PW_NONE }, 0);
    EXPECT(buf.failed);
    pw_buf_done(&buf);
}

/* ---- doubles */

TEST(real, the_shortest_text_as_jq_prints_it)
{
    // clang-format off
    static const struct {
        double d;
        const char *text;
    } cases[] = {
        { 0.0, "0" }, { -0.0, "-0" }, { 1.0, "1" }, { 0.1, "0.1" }, { -1.5, "-1.5" },
        { 0.1 + 0.2, "0.30000000000000004" }, { 1.0 / 3, "0.3333333333333333" },
        { 1e15, "1000000000000000" }, { 1e16, "1e+16" }, { 1e17, "1e+17" }, { 12e15, "12000000000000000" },
        { 12e16, "1.2e+17" }, { 123e15, "123000000000000000" }, { 1e100, "1e+100" }, { 1.5e300, "1.5e+300" },
        { 1234567890120000000000.0, "1234567890120000000000" },
        { 1.2345678901234567e31, "12345678901234567000000000000000" },
        { -1.2345678901234567e31, "-12345678901234567000000000000000" },
        { 1.2345678901234567e32, "1.2345678901234567e+32" },
        { 0.0001, "0.0001" }, { 0.00012, "0.00012" }, { 0.00001, "1e-05" }, { 0.000012, "1.2e-05" },
        { 5e-324, "5e-324" }, { 1e-320, "1e-320" }, { DBL_MIN, "2.2250738585072014e-308" },
        { DBL_MAX, "1.7976931348623157e+308" }, { 9007199254740993.0, "9007199254740992" },
        { 0x1p-44, "5.684341886080802e-14" }, /* a power of two: not the nearest of 16 digits, yet unique */
        { 0x1p-1074 * 3, "1.5e-323" }, { 4.35, "4.35" }, { 2.0 / 3, "0.6666666666666666" },
        { 123456.789, "123456.789" }, { 1e23, "1e+23" }, { 9.5e-7, "9.5e-07" },
    };
    // clang-format on
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        char text[PW_REAL_SIZE];
        size_t len = pw_json_real(text, cases[i].d);
        EXPECT_TEXT(text, cases[i].text);
        EXPECT_INT(len, strlen(text));
    }
}

TEST(real, hundredths_have_two_places)
{
    for (int i = 1; i < 100000; i++) {
        char text[PW_REAL_SIZE], expected[PW_REAL_SIZE];
        int len = snprintf(expected, sizeof expected, "%d.%02d", i / 100, i % 100);
        while (expected[len - 1] == '0' || expected[len - 1] == '.') {
            bool point = expected[--len] == '.';
            expected[len] = '\0';
            if (point)
                break;
        }
        (void)pw_json_real(text, i / 100.0);
        EXPECT_TEXT(text, expected);
    }
}

TEST(real, every_text_reads_back)
{
    begin();
    uint64_t state = 42;
    for (int i = 0; i < 100000; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t bits = i < 2046 ? (uint64_t)i << 52 : state ^ state >> 29;
        double d;
        memcpy(&d, &bits, sizeof d);
        if (isnan(d) || isinf(d))
            continue;
        char text[PW_REAL_SIZE];
        size_t len = pw_json_real(text, d);
        pw_arena_mark mark = pw_arena_at(&arena);
        double back = pw_number(read_json((pw_str){ text, len }));
        pw_arena_rewind(&arena, mark);
        if (memcmp(&back, &d, sizeof d) != 0)
            fail_msg("%s: %a came back as %a", text, d, back);
    }
}

TEST(real, the_host_programs_locale_changes_nothing)
{
    begin();
    static const char *const names[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR" };
    size_t i = 0;
    while (i < PW_LENGTH(names) && !setlocale(LC_ALL, names[i]))
        i++;
    if (i == PW_LENGTH(names))
        pw_test_skip("no locale with a decimal comma is installed");
    char text[PW_REAL_SIZE];
    (void)pw_json_real(text, 1.5);
    double d = pw_number(read_json(PW_LIT("2.5")));
    (void)setlocale(LC_ALL, "C");
    EXPECT_TEXT(text, "1.5");
    EXPECT(d > 2.4 && d < 2.6);
}

/* ---- running out of memory */

static pawl_code parse_and_write(pw_str text, pawl_error *err)
{
    pw_arena own;
    pw_value v;
    pw_arena_init(&own, 0);
    pawl_code code = pw_json_parse(&v, text, NULL, &own, err);
    if (code == PAWL_OK && !pw_json_text(&own, v, PW_JSON_PRETTY | PW_JSON_CANONICAL).ptr)
        code = pw_no_memory(err);
    pw_arena_done(&own);
    return code;
}

/* Many kinds of allocation: piles, chunks, the writer's stack, a far exponent. */
static char *large_document(size_t *len)
{
    pw_buf text;
    pw_buf_init(&text, 0);
    for (int i = 0; i < 300; i++)
        pw_buf_text(&text, "[{\"key\":");
    pw_buf_text(&text, "1e1000000000000000000000");
    for (int i = 0; i < 300; i++)
        pw_buf_text(&text, "}]");
    text.ptr[text.len - 1] = ',';
    for (int i = 0; i < 500; i++)
        pw_buf_printf(&text, "\"text number\\n%d\",%d.50,", i, i);
    pw_buf_text(&text,
                "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1}]");
    *len = text.len;
    return pw_buf_take(&text);
}

TEST(memory, every_allocation_that_fails_is_reported)
{
    size_t len = 0;
    char *text = large_document(&len);
    pawl_error err = { 0 };
    uint64_t before = pw_alloc_count();
    EXPECT_OK(parse_and_write((pw_str){ text, len }, &err), err);
    uint64_t count = pw_alloc_count() - before;
    EXPECT(count > 20);
    for (uint64_t n = 1; n <= count; n++) {
        memset(&err, 0, sizeof err);
        pw_alloc_fail_after(n);
        pawl_code code = parse_and_write((pw_str){ text, len }, &err);
        pw_alloc_fail_after(0);
        if (code != PAWL_NO_MEMORY || strcmp(err.message, "out of memory") != 0)
            fail_msg("allocation %d of %d: %s: %s", (int)n, (int)count, pawl_code_name(code),
                     err.message);
    }
    EXPECT_OK(parse_and_write((pw_str){ text, len }, &err), err);
    pw_free(text);
}

TEST(memory, an_arenas_limit_is_out_of_memory_too)
{
    size_t len = 0;
    char *text = large_document(&len);
    const pw_str document = { text, len };
    for (size_t limit = 1; limit < 20000; limit += 997) {
        pw_arena own;
        pw_value v;
        jmp_buf guard;
        pawl_error err = { 0 };
        pw_arena_init(&own, limit);
        if (setjmp(guard) == 0) {
            (void)pw_arena_guard(&own, &guard);
            EXPECT_INT(pw_json_parse(&v, document, NULL, &own, &err), PAWL_NO_MEMORY);
            EXPECT(pw_arena_guard(&own, NULL) == &guard); /* set again, not jumped to */
        } else {
            fail_msg("jumped although there is a code to return");
        }
        EXPECT(own.over_limit);
        pw_arena_done(&own);
    }
    pw_free(text);
}

TEST_MAIN()
