/* patch.c - any bytes as a document, a patch of it, and another document, one a line: the patch is
 * refused with a reason, or gives a document; and the difference of the two documents makes the one
 * of the other. */
#include "fuzz.h"
#include "base/json.h"
#include "base/patch.h"

enum { LINES = 3 };

static pw_value read_line(pw_str *input, pw_arena *arena)
{
    const char *end = input->len ? memchr(input->ptr, '\n', input->len) : NULL;
    pw_str line = { input->ptr, end ? (size_t)(end - input->ptr) : input->len };
    *input = end ? (pw_str){ end + 1, input->len - line.len - 1 } : (pw_str){ "", 0 };
    pw_value v = { 0 };
    pawl_code code = pw_json_parse(&v, line, NULL, arena, NULL);
    FUZZ_CHECK((code == PAWL_OK) == !pw_is(v, PW_NONE));
    return v;
}

/* As a caller gets it: through text. */
static pw_value again(pw_value v, pw_arena *arena)
{
    pw_value read = { 0 };
    pw_str text = pw_json_text(arena, v, PW_JSON_COMPACT);
    FUZZ_CHECK(text.ptr != NULL);
    FUZZ_CHECK(pw_json_parse(&read, text, NULL, arena, NULL) == PAWL_OK);
    return read;
}

static void check_difference(pw_value from, pw_value to, pw_arena *arena)
{
    pawl_error err;
    pw_value diff = pw_patch_diff(from, to, arena), out = { 0 };
    FUZZ_CHECK(!pw_is(diff, PW_NONE));
    FUZZ_CHECK((diff.count == 0) == pw_equal(from, to));
    FUZZ_CHECK(pw_patch_apply(&out, from, again(diff, arena), arena, &err) == PAWL_OK);
    FUZZ_CHECK(pw_equal(out, to));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_str input = fuzz_text(data, size);
    pw_value lines[LINES], out = pw_int(77);
    for (size_t i = 0; i < LINES; i++)
        lines[i] = read_line(&input, &arena);
    if (!pw_is(lines[0], PW_NONE) && !pw_is(lines[1], PW_NONE)) {
        pawl_error err = { .code = PAWL_OK };
        pw_str before = pw_json_text(&arena, lines[0], PW_JSON_COMPACT);
        pawl_code code = pw_patch_apply(&out, lines[0], lines[1], &arena, &err);
        FUZZ_CHECK(code == PAWL_OK || code == PAWL_INVALID);
        FUZZ_CHECK(code == PAWL_OK || (err.message[0] && out.as.integer == 77));
        FUZZ_CHECK(pw_str_eq(before, pw_json_text(&arena, lines[0], PW_JSON_COMPACT)));
        if (code == PAWL_OK && pw_footprint(out, 1 << 20) <= 1 << 20) {
            FUZZ_CHECK(pw_equal(out, again(out, &arena)));
            check_difference(lines[0], out, &arena);
        }
    }
    if (!pw_is(lines[0], PW_NONE) && !pw_is(lines[2], PW_NONE)) {
        check_difference(lines[0], lines[2], &arena);
        check_difference(lines[2], lines[0], &arena);
        pw_str pointer = pw_text(lines[2]);
        (void)pw_pointer_get(lines[0], pointer, &arena);
    }
    pw_arena_done(&arena);
    return 0;
}
