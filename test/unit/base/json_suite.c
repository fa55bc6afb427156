/* json_suite.c - the public JSON parsing suite: y_ is accepted, n_ refused, i_ as json.h decides.
 */
#include <dirent.h>
#include <stdlib.h>

#include "test.h"
#include "base/json.h"

/* Where the RFC leaves it open. A number of any size or exponent is kept as text; a lone surrogate
 * cannot be written as UTF-8; other encodings and byte order marks are not UTF-8 without one. */
// clang-format off
static const struct {
    const char *file;
    bool accepted;
} decided[] = {
    { "i_number_double_huge_neg_exp.json", true },
    { "i_number_huge_exp.json", true },
    { "i_number_neg_int_huge_exp.json", true },
    { "i_number_pos_double_huge_exp.json", true },
    { "i_number_real_neg_overflow.json", true },
    { "i_number_real_pos_overflow.json", true },
    { "i_number_real_underflow.json", true },
    { "i_number_too_big_neg_int.json", true },
    { "i_number_too_big_pos_int.json", true },
    { "i_number_very_big_negative_int.json", true },
    { "i_object_key_lone_2nd_surrogate.json", false },
    { "i_string_1st_surrogate_but_2nd_missing.json", false },
    { "i_string_1st_valid_surrogate_2nd_invalid.json", false },
    { "i_string_UTF-16LE_with_BOM.json", false },
    { "i_string_UTF-8_invalid_sequence.json", false },
    { "i_string_UTF8_surrogate_U+D800.json", false },
    { "i_string_incomplete_surrogate_and_escape_valid.json", false },
    { "i_string_incomplete_surrogate_pair.json", false },
    { "i_string_incomplete_surrogates_escape_valid.json", false },
    { "i_string_invalid_lonely_surrogate.json", false },
    { "i_string_invalid_surrogate.json", false },
    { "i_string_invalid_utf-8.json", false },
    { "i_string_inverted_surrogates_U+1D11E.json", false },
    { "i_string_iso_latin_1.json", false },
    { "i_string_lone_second_surrogate.json", false },
    { "i_string_lone_utf8_continuation_byte.json", false },
    { "i_string_not_in_unicode_range.json", false },
    { "i_string_overlong_sequence_2_bytes.json", false },
    { "i_string_overlong_sequence_6_bytes.json", false },
    { "i_string_overlong_sequence_6_bytes_null.json", false },
    { "i_string_truncated-utf-8.json", false },
    { "i_string_utf16BE_no_BOM.json", false },
    { "i_string_utf16LE_no_BOM.json", false },
    { "i_structure_500_nested_arrays.json", true },
    { "i_structure_UTF-8_BOM_empty_object.json", false },
};
// clang-format on

static bool expected_of(const char *name)
{
    if (name[0] != 'i')
        return name[0] == 'y';
    for (size_t i = 0; i < PW_LENGTH(decided); i++) {
        if (strcmp(decided[i].file, name) == 0)
            return decided[i].accepted;
    }
    fail_msg("%s: nothing is decided about it", name);
    return false;
}

/* What was accepted is written and read again: the same value and the same text. */
static void check_round_trip(const char *name, pw_value first, pw_arena *arena)
{
    pawl_error err = { 0 };
    pw_value second;
    pw_str text = pw_json_text(arena, first, PW_JSON_COMPACT);
    assert_non_null(text.ptr);
    if (pw_json_parse(&second, text, NULL, arena, &err) != PAWL_OK)
        fail_msg("%s: its own output is refused: %s", name, err.message);
    if (pw_compare(first, second) != 0)
        fail_msg("%s: came back as another value", name);
    if (!pw_str_eq(text, pw_json_text(arena, second, PW_JSON_COMPACT)))
        fail_msg("%s: came back as another text", name);
}

static void check_file(const char *folder, const char *name)
{
    char path[4400];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    size_t len = 0;
    char *text = pw_test_read(path, &len);
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_error err = { 0 };
    pw_value v = pw_null();
    pawl_code code = pw_json_parse(&v, (pw_str){ text, len }, NULL, &arena, &err);
    if (expected_of(name)) {
        if (code != PAWL_OK)
            fail_msg("%s: refused: %s", name, err.message);
        check_round_trip(name, v, &arena);
    } else {
        if (code != PAWL_INVALID)
            fail_msg("%s: accepted", name);
        EXPECT_CONTAINS(err.message, "JSON line ");
    }
    pw_arena_done(&arena);
    free(text);
}

TEST(json_suite, every_file_behaves_as_its_name_says)
{
    const char *shared = pw_test_shared();
    char folder[4000];
    (void)snprintf(folder, sizeof folder, "%s/json/test_parsing", shared ? shared : "");
    DIR *dir = shared ? opendir(folder) : NULL;
    if (!dir)
        pw_test_skip("the suite's folder json/test_parsing is not there");
    int files = 0;
    for (const struct dirent *entry = NULL; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        check_file(folder, entry->d_name);
        files++;
    }
    (void)closedir(dir);
    EXPECT(files >= 318);
}

TEST_MAIN()
