/* json.c - any bytes as JSON: refused with a reason, or read to a value that every style of
 * writing gives back. */
#include "fuzz.h"
#include "base/json.h"

/* Writes `v`, reads it back, and compares; gives the text. */
static pw_str there_and_back(pw_value v, unsigned style, pw_arena *arena)
{
    pw_str text = pw_json_text(arena, v, style);
    FUZZ_CHECK(text.ptr != NULL);
    FUZZ_CHECK(pw_utf8_valid(text));
    pw_value again;
    pawl_error err;
    FUZZ_CHECK(pw_json_parse(&again, text, NULL, arena, &err) == PAWL_OK);
    FUZZ_CHECK(pw_equal(v, again));
    FUZZ_CHECK(pw_compare(again, v) == 0);
    pw_str twice = pw_json_text(arena, again, style);
    FUZZ_CHECK(pw_str_eq(text, twice));
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value v = { 0 };
    pawl_error err = { .code = PAWL_OK };
    pawl_code code = pw_json_parse(&v, fuzz_text(data, size), NULL, &arena, &err);
    if (code == PAWL_OK) {
        FUZZ_CHECK(!pw_is(v, PW_NONE));
        there_and_back(v, PW_JSON_COMPACT, &arena);
        there_and_back(v, PW_JSON_PRETTY, &arena);
        there_and_back(v, PW_JSON_SORTED, &arena);
        pw_str canonical = there_and_back(v, PW_JSON_CANONICAL, &arena);
        pw_value copy = pw_copy(&arena, v);
        FUZZ_CHECK(pw_equal(v, copy));
        FUZZ_CHECK(pw_str_eq(canonical, pw_json_text(&arena, copy, PW_JSON_CANONICAL)));
        FUZZ_CHECK(pw_footprint(v, SIZE_MAX) == pw_footprint(copy, SIZE_MAX));
    } else {
        FUZZ_CHECK(code == PAWL_INVALID);
        FUZZ_CHECK(err.code == code && pw_str_starts(pw_str_of(err.message), PW_LIT("JSON line ")));
    }
    pw_arena_done(&arena);
    return 0;
}
