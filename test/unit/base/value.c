/* value.c - building, reading, changing, comparing, copying and measuring values. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "test.h"
#include "base/json.h"

static pw_arena arena;

static void begin(void)
{
    pw_arena_done(&arena);
    pw_arena_init(&arena, 0);
}

static pw_value read_json(const char *text)
{
    pawl_error err = { 0 };
    pw_value v = { .type = PW_NONE };
    EXPECT_OK(pw_json_parse(&v, pw_str_of(text), NULL, &arena, &err), err);
    return v;
}

static const char *json(pw_value v)
{
    pw_str text = pw_json_text(&arena, v, PW_JSON_COMPACT);
    assert_non_null(text.ptr);
    return text.ptr;
}

/* [[[...[inner]...]]] */
static pw_value nested(pw_value inner, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        inner = pw_array(&arena, &inner, 1);
    return inner;
}

/* {"k0":0,"k1":1,...}, keys in an order that is not sorted */
static pw_value numbered(size_t count)
{
    pw_object_builder b = { .arena = &arena };
    for (size_t i = 0; i < count; i++) {
        size_t at = (i * 7919 + 3) % count;
        pw_object_add(&b, pw_arena_printf(&arena, "k%zu", at), pw_int((int64_t)at));
    }
    return pw_object_end(&b);
}

/* ---- making and reading */

TEST(value, a_built_document_is_written_in_order)
{
    begin();
    pw_array_builder list = { .arena = &arena };
    for (int i = 0; i < 20; i++)
        pw_array_add(&list, pw_int(i));
    pw_value v = pw_object_of(&arena,
                              (pw_member[]){ { PW_LIT("z"), pw_null() },
                                             { PW_LIT("a"), pw_string(&arena, PW_LIT("x\"y")) },
                                             { PW_LIT("none"), { .type = PW_NONE } },
                                             { PW_LIT("list"), pw_array_end(&list) },
                                             { PW_LIT("t"), pw_bool(true) } },
                              5);
    EXPECT_TEXT(json(v),
                "{\"z\":null,\"a\":\"x\\\"y\",\"list\":[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,"
                "15,16,17,18,19],\"t\":true}");
}

TEST(value, what_is_not_there_reads_as_none)
{
    begin();
    pw_value v = read_json("{\"a\":[1,\"two\"],\"b\":\"text\"}");
    EXPECT_INT(pw_get_lit(v, "c").type, PW_NONE);
    EXPECT_INT(pw_get_lit(pw_null(), "c").type, PW_NONE);
    EXPECT_INT(pw_item(pw_get_lit(v, "a"), 2).type, PW_NONE);
    EXPECT_INT(pw_item(v, 0).type, PW_NONE);
    EXPECT_STR(pw_get_text(v, "b"), "text");
    EXPECT_STR(pw_get_text(v, "a"), "");
    EXPECT_STR(pw_text(pw_item(pw_get_lit(v, "a"), 1)), "two");
    EXPECT(pw_members(pw_null()) == NULL);
    EXPECT_TEXT(pw_type_name(v), "object");
    EXPECT_TEXT(pw_type_name(pw_bool(false)), "boolean");
}

TEST(value, objects_of_every_size_find_their_keys)
{
    begin();
    for (size_t count = 0; count < 200; count++) {
        pw_value v = numbered(count);
        EXPECT_INT(v.count, count);
        for (size_t i = 0; i < count; i++) {
            char key[16];
            (void)snprintf(key, sizeof key, "k%zu", i);
            int64_t n = -1;
            EXPECT(pw_integer(pw_get_lit(v, key), &n));
            EXPECT_INT(n, i);
        }
        EXPECT_INT(pw_get_lit(v, "k").type, PW_NONE);
        EXPECT_INT(pw_get_lit(v, "k9999").type, PW_NONE);
    }
}

TEST(value, a_later_equal_key_wins_at_the_place_of_the_first)
{
    begin();
    pw_object_builder b = { .arena = &arena };
    pw_object_add(&b, PW_LIT("x"), pw_int(1));
    pw_object_add(&b, PW_LIT("y"), pw_int(2));
    pw_object_add(&b, PW_LIT("x"), pw_int(3));
    pw_object_add(&b, PW_LIT("y"), (pw_value){ .type = PW_NONE });
    EXPECT_TEXT(json(pw_object_end(&b)), "{\"x\":3,\"y\":2}");
    for (int i = 0; i < 60; i++) /* each of 20 keys three times */
        pw_object_add(&b, pw_arena_printf(&arena, "%02d", 19 - i % 20), pw_int(i));
    pw_value v = pw_object_end(&b);
    EXPECT_INT(v.count, 20);
    EXPECT_STR(pw_members(v)[0].key, "19");
    EXPECT_INT(pw_members(v)[0].value.as.integer, 40);
    EXPECT_STR(pw_members(v)[19].key, "00");
    EXPECT_INT(pw_get_lit(v, "00").as.integer, 59);
    for (int i = 0; i < 30; i++) /* many, of which few remain */
        pw_object_add(&b, i % 2 ? PW_LIT("odd") : PW_LIT("even"), pw_int(i));
    EXPECT_TEXT(json(pw_object_end(&b)), "{\"even\":28,\"odd\":29}");
}

TEST(value, members_are_sorted_by_code_point)
{
    begin();
    pw_value small = read_json("{\"b\":1,\"\xC3\xA9\":2,\"a\":3,\"ab\":4,\"\":5}");
    const pw_member **sorted = pw_members_sorted(small, &arena);
    EXPECT_STR(sorted[0]->key, "");
    EXPECT_STR(sorted[1]->key, "a");
    EXPECT_STR(sorted[2]->key, "ab");
    EXPECT_STR(sorted[3]->key, "b");
    EXPECT_INT(sorted[4]->value.as.integer, 2);
    sorted = pw_members_sorted(numbered(300), &arena);
    for (size_t i = 1; i < 300; i++)
        EXPECT(pw_str_cmp(sorted[i - 1]->key, sorted[i]->key) < 0);
}

/* ---- changing */

TEST(value, with_and_without_leave_the_old_value_alone)
{
    begin();
    pw_value v = read_json("{\"a\":1,\"b\":2}");
    char key[2] = "c";
    pw_value added = pw_with(&arena, v, pw_str_of(key), pw_int(3));
    key[0] = 'X'; /* the key was copied */
    EXPECT_TEXT(json(added), "{\"a\":1,\"b\":2,\"c\":3}");
    EXPECT_TEXT(json(pw_with(&arena, v, PW_LIT("a"), pw_int(9))), "{\"a\":9,\"b\":2}");
    EXPECT_TEXT(json(pw_without(&arena, v, PW_LIT("a"))), "{\"b\":2}");
    EXPECT_TEXT(json(pw_without(&arena, v, PW_LIT("x"))), "{\"a\":1,\"b\":2}");
    EXPECT_TEXT(json(pw_with(&arena, pw_null(), PW_LIT("a"), pw_int(1))), "{\"a\":1}");
    EXPECT_TEXT(json(pw_with(&arena, v, PW_LIT("a"), (pw_value){ .type = PW_NONE })),
                "{\"a\":1,\"b\":2}");
    EXPECT_TEXT(json(v), "{\"a\":1,\"b\":2}");
}

TEST(value, with_and_without_keep_the_index_of_large_objects)
{
    begin();
    pw_value v = pw_object_of(&arena, NULL, 0);
    for (int i = 0; i < 40; i++)
        v = pw_with(&arena, v, pw_arena_printf(&arena, "k%d", (i * 13) % 40), pw_int(i));
    for (int i = 0; i < 40; i++)
        v = pw_with(&arena, v, pw_arena_printf(&arena, "k%d", i), pw_int(100 + i));
    for (int removed = 0; removed < 40; removed++) {
        for (int i = removed; i < 40; i++) {
            char key[16];
            (void)snprintf(key, sizeof key, "k%d", i);
            EXPECT_INT(pw_get_lit(v, key).as.integer, 100 + i);
        }
        EXPECT_INT(v.count, 40 - removed);
        v = pw_without(&arena, v, pw_arena_printf(&arena, "k%d", removed));
    }
    EXPECT_TEXT(json(v), "{}");
}

/* ---- comparing */

TEST(compare, the_order_of_all_kinds)
{
    begin();
    static const char *const ascending[] = {
        "null",
        "false",
        "true",
        "-1e1000000000",
        "-9223372036854775808",
        "-1.5",
        "-1e-1000000000",
        "0",
        "1e-1000000000",
        "0.1",
        "0.2",
        "1",
        "1.0000000000000000000000001",
        "2",
        "10",
        "9007199254740992",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "12345678901234567890",
        "12345678901234567891",
        "1e1000000000",
        "2e1000000000",
        "1e99999999999999999999999999",
        "1e100000000000000000000000000",
        "1e100000000000000000000000001",
        "\"\"",
        "\"a\"",
        "\"aa\"",
        "\"b\"",
        "\"\xC3\xA9\"",
        "[]",
        "[null]",
        "[1]",
        "[1,2]",
        "[[1]]",
        "[[1,2],0]",
        "{}",
        "{\"a\":2}",
        "{\"a\":1,\"b\":2}",
        "{\"b\":1,\"a\":3}",
        "{\"a\":1,\"c\":0}",
        "{\"b\":0}",
        "{\"b\":[1]}",
    };
    for (size_t i = 0; i < PW_LENGTH(ascending); i++) {
        for (size_t j = 0; j < PW_LENGTH(ascending); j++) {
            int order = pw_compare(read_json(ascending[i]), read_json(ascending[j]));
            if (order != (i > j) - (i < j))
                fail_msg("%s and %s: %d", ascending[i], ascending[j], order);
        }
    }
}

TEST(compare, numbers_are_equal_by_value)
{
    begin();
    static const char *const groups[][5] = {
        { "1", "1.0", "1e0", "10e-1", "0.00001e5" },
        { "0", "-0", "0.0", "0e999999999999", "-0.000" },
        { "1e2", "100", "100.00", "0.1e3", "1000E-1" },
        { "-2.50", "-2.5", "-25e-1", "-0.25e1", "-2.500" },
        { "1e100000000000000000000", "10e99999999999999999999", "0.1e100000000000000000001",
          "1.0e100000000000000000000", "1e0100000000000000000000" },
        { "1e-100000000000000000000", "0.1e-99999999999999999999", "10e-100000000000000000001",
          "1.0e-100000000000000000000", "1E-100000000000000000000" },
        { "12345678901234567890", "12345678901234567890.0", "1234567890123456789e1",
          "1.2345678901234567890e19", "0.1234567890123456789e20" },
    };
    for (size_t g = 0; g < PW_LENGTH(groups); g++) {
        for (size_t i = 0; i < 5; i++) {
            for (size_t j = 0; j < 5; j++) {
                if (!pw_equal(read_json(groups[g][i]), read_json(groups[g][j])))
                    fail_msg("%s and %s differ", groups[g][i], groups[g][j]);
            }
        }
    }
}

TEST(compare, a_computed_number_equals_the_literal_it_is_written_as)
{
    begin();
    static const double numbers[] = {
        0.1, 0.1 + 0.2, 1e23, 1e300, 5e-324, -1.5, 1152921504606846976.0
    };
    for (size_t i = 0; i < PW_LENGTH(numbers); i++) {
        pw_value computed = pw_real(numbers[i]), literal = read_json(json(computed));
        EXPECT_INT(computed.form, PW_FORM_REAL);
        EXPECT_INT(literal.form != PW_FORM_REAL, 1);
        EXPECT_INT(pw_compare(computed, literal), 0);
        EXPECT_INT(pw_compare(pw_real(nextafter(numbers[i], 1e308)), literal), 1);
        EXPECT_INT(pw_compare(literal, pw_real(nextafter(numbers[i], -1e308))), 1);
    }
    EXPECT_INT(pw_compare(pw_int(3), pw_real(2.5)), 1);
    EXPECT_INT(pw_compare(pw_real(1e19), pw_int(INT64_MAX)), 1);
    EXPECT_INT(pw_compare(pw_int(INT64_MAX), pw_real(-1e19)), 1);
}

TEST(compare, objects_are_equal_in_any_order_of_their_keys)
{
    begin();
    EXPECT(pw_equal(read_json("{\"a\":1,\"b\":[1.0]}"), read_json("{\"b\":[1],\"a\":1}")));
    EXPECT(!pw_equal(read_json("{\"a\":1}"), read_json("{\"a\":1,\"b\":1}")));
    EXPECT(!pw_equal(read_json("[1]"), read_json("[1,1]")));
    pw_value large = numbered(100);
    pw_object_builder b = { .arena = &arena };
    for (int i = 0; i < 100; i++)
        pw_object_add(&b, pw_arena_printf(&arena, "k%d", i), pw_int(i));
    pw_value ordered = pw_object_end(&b);
    EXPECT(pw_equal(large, ordered));
    EXPECT_INT(pw_compare(pw_with(&arena, large, PW_LIT("k50"), pw_int(51)), ordered), 1);
}

TEST(compare, deep_values_cost_no_c_stack)
{
    begin();
    enum { DEEP = 1000000 };
    pw_value a = nested(pw_int(1), DEEP), b = nested(pw_int(2), DEEP);
    EXPECT_INT(pw_compare(a, b), -1);
    EXPECT(pw_equal(a, nested(pw_int(1), DEEP)));
    pw_value copy = pw_copy(&arena, a);
    EXPECT_INT(pw_compare(a, copy), 0);
    EXPECT_INT(pw_footprint(copy, SIZE_MAX), DEEP * 16);
}

/* ---- numbers */

TEST(number, integers_are_exact_or_refused)
{
    begin();
    // clang-format off
    static const struct {
        const char *text;
        bool exact;
        int64_t value;
    } cases[] = {
        { "0", true, 0 }, { "-0", true, 0 }, { "1.0", true, 1 }, { "1e3", true, 1000 },
        { "12.50e1", true, 125 }, { "0.001e3", true, 1 }, { "-1e18", true, -1000000000000000000 },
        { "9223372036854775807", true, INT64_MAX }, { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775807.0", true, INT64_MAX }, { "9223372036854775808", false, 0 },
        { "-9223372036854775809", false, 0 }, { "1e19", false, 0 }, { "1.5", false, 0 },
        { "1e-1", false, 0 }, { "12.55e1", false, 0 }, { "1e1000000000000000000000", false, 0 },
        { "1e-1000000000000000000000", false, 0 }, { "0e1000000000000000000000", true, 0 },
        { "\"1\"", false, 0 }, { "null", false, 0 },
    };
    // clang-format on
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        int64_t n = 77;
        if (pw_integer(read_json(cases[i].text), &n) != cases[i].exact ||
            n != (cases[i].exact ? cases[i].value : 77))
            fail_msg("%s", cases[i].text);
    }
    int64_t n = 0;
    EXPECT(pw_integer(pw_real(1e18), &n));
    EXPECT(n == 1000000000000000000);
    EXPECT(!pw_integer(pw_real(0.5), &n));
}

static uint64_t bits_of(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

TEST(number, literals_are_the_nearest_double)
{
    begin();
    // clang-format off
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        { "0.1", 0.1 }, { "-0", -0.0 }, { "-0.0e5", -0.0 }, { "1e23", 1e23 }, { "1.7976931348623157e308", DBL_MAX },
        { "1e1000", DBL_MAX }, { "-1e1000000000000000000000000", -DBL_MAX }, { "1e-1000000000000000000000000", 0.0 },
        { "5e-324", 5e-324 }, { "2e-324", 0.0 }, { "12345678901234567890", 12345678901234567890.0 },
        { "9007199254740993", 9007199254740992.0 }, { "9007199254740993.0000000000000000000000000001", 9007199254740994.0 },
        { "0.000000000000000000000000000000000000000000000000000001", 1e-54 },
        { "123456789012345678901234567890e-29", 1.2345678901234567890123456789 },
    };
    // clang-format on
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        if (bits_of(pw_number(read_json(cases[i].text))) != bits_of(cases[i].value))
            fail_msg("%s: %.17g", cases[i].text, pw_number(read_json(cases[i].text)));
    }
    EXPECT(bits_of(pw_number(pw_string_ref(PW_LIT("1")))) == 0);
}

TEST(number, a_digit_far_behind_decides_a_tie)
{
    begin();
    char text[2100]; /* 1 + 2^-53, halfway between two doubles, then zeros, then perhaps a one */
    memset(text, '0', sizeof text);
    static const char half[] = "1.00000000000000011102230246251565404236316680908203125";
    memcpy(text, half, sizeof half - 1);
    text[2000] = '\0';
    EXPECT(bits_of(pw_number(read_json(text))) == bits_of(1.0));
    text[1999] = '1';
    EXPECT(bits_of(pw_number(read_json(text))) == bits_of(1.0 + DBL_EPSILON));
    EXPECT_INT(pw_compare(read_json(text), read_json(half)), 1);
}

TEST(number, reals_become_integers_where_both_say_the_same)
{
    begin();
    EXPECT_INT(pw_real(3.0).form, PW_FORM_INT);
    EXPECT_INT(pw_real(9007199254740991.0).form, PW_FORM_INT);
    EXPECT_INT(pw_real(9007199254740992.0).form, PW_FORM_REAL);
    EXPECT_INT(pw_real(0.0).form, PW_FORM_INT);
    EXPECT_TEXT(json(pw_real(-0.0)), "-0");
    EXPECT_INT(pw_real((double)NAN).type, PW_NULL);
    EXPECT_TEXT(json(pw_real((double)INFINITY)), "1.7976931348623157e+308");
    EXPECT_TEXT(json(pw_real(-(double)INFINITY)), "-1.7976931348623157e+308");
}

TEST(number, of_text_takes_numbers_only)
{
    begin();
    EXPECT_INT(pw_number_of(&arena, PW_LIT("12")).as.integer, 12);
    EXPECT_TEXT(json(pw_number_of(&arena, PW_LIT("1.50"))), "1.50");
    static const char *const refused[] = { "",   " 1", "1 ",  "01", "+1", ".5",
                                           "1.", "1e", "nan", "-",  "0x1" };
    for (size_t i = 0; i < PW_LENGTH(refused); i++)
        EXPECT_INT(pw_number_of(&arena, pw_str_of(refused[i])).type, PW_NONE);
}

/* ---- copying and measuring */

TEST(copy, shares_nothing)
{
    begin();
    static const char text[] =
        "{\"a\":[1,1.50,\"x\",{\"b\":{},\"c\":[]}],\"d\":12345678901234567890,"
        "\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1,\"k\":[null]}";
    pw_arena other;
    pw_arena_init(&other, 0);
    pw_value copy = pw_copy(&other, read_json(text));
    pw_arena_done(&arena);
    pw_arena_init(&arena, 0);
    EXPECT_TEXT(json(copy), text);
    EXPECT_STR(pw_get_text(pw_with(&arena, copy, PW_LIT("z"), pw_string_ref(PW_LIT("!"))), "z"),
               "!");
    EXPECT_INT(pw_get_lit(copy, "j").as.integer, 1);
    pw_arena_done(&other);
}

TEST(copy, without_memory_gives_none)
{
    begin();
    pw_value v = nested(read_json("{\"a\":[1,1.50,\"x\"]}"), 100);
    pw_arena small;
    for (size_t limit = 16; limit < 1700; limit += 16) {
        pw_arena_init(&small, limit);
        EXPECT_INT(pw_copy(&small, v).type, PW_NONE);
        EXPECT(small.failed);
        pw_arena_done(&small);
    }
    for (uint64_t n = 1; n <= 3; n++) { /* a first chunk, two growths of the stack */
        pw_arena_init(&small, 0);
        pw_alloc_fail_after(n);
        pw_value copy = pw_copy(&small, v);
        pw_alloc_fail_after(0);
        EXPECT_INT(copy.type, PW_NONE);
        pw_arena_done(&small);
    }
}

TEST(footprint, counts_what_a_value_holds)
{
    begin();
    EXPECT_INT(pw_footprint(pw_int(1), 1000), 0);
    EXPECT_INT(pw_footprint(read_json("\"four\""), 1000), 4);
    EXPECT_INT(pw_footprint(read_json("1.50"), 1000), 4);
    EXPECT_INT(pw_footprint(read_json("[1,\"ab\",[],[null]]"), 1000), 4 * 16 + 2 + 16);
    EXPECT_INT(pw_footprint(read_json("{\"key\":\"ab\"}"), 1000), 8 + 32 + 3 + 2);
    EXPECT(pw_footprint(nested(pw_int(1), 100000), 1000) <= 1016);
}

TEST_MAIN()
