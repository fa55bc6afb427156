/* base.c - strings, errors, the heap, growing text, UTF-8, arenas, fault points. */
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "base/arena.h"

/* ---- strings */

TEST(str, order_is_by_bytes_and_the_shorter_comes_first)
{
    EXPECT_INT(pw_str_cmp(PW_LIT("a"), PW_LIT("b")), -1);
    EXPECT_INT(pw_str_cmp(PW_LIT("b"), PW_LIT("a")), 1);
    EXPECT_INT(pw_str_cmp(PW_LIT("a"), PW_LIT("ab")), -1);
    EXPECT_INT(pw_str_cmp(PW_LIT("ab"), PW_LIT("ab")), 0);
    EXPECT_INT(pw_str_cmp(PW_LIT("\xC3\xA9"), PW_LIT("z")), 1);
    EXPECT_INT(pw_str_cmp((pw_str){ NULL, 0 }, PW_LIT("")), 0);
}

TEST(str, equality_prefixes_and_literals)
{
    EXPECT(pw_str_eq(PW_LIT("ab"), PW_LIT("ab")));
    EXPECT(!pw_str_eq(PW_LIT("ab"), PW_LIT("abc")));
    EXPECT(pw_str_eq((pw_str){ NULL, 0 }, PW_LIT("")));
    EXPECT(pw_str_starts(PW_LIT("abc"), PW_LIT("ab")));
    EXPECT(!pw_str_starts(PW_LIT("a"), PW_LIT("ab")));
    EXPECT(pw_str_is(PW_LIT("ab"), "ab"));
    EXPECT(!pw_str_is(PW_LIT("ab"), "abc"));
    EXPECT_INT(pw_str_of(NULL).len, 0);
    EXPECT_INT(pw_str_of("four").len, 4);
}

/* ---- errors */

TEST(error, a_failure_says_what_and_where)
{
    pawl_error err = { 0 };
    int line = __LINE__ + 1;
    pawl_code code = pw_fail_native(&err, PAWL_IO, 28, "disk %s is full", "/d");
    EXPECT_INT(code, PAWL_IO);
    EXPECT_INT(err.code, PAWL_IO);
    EXPECT_INT(err.native, 28);
    EXPECT_INT(err.line, line);
    EXPECT_TEXT(err.message, "disk /d is full");
    EXPECT_INT(pw_fail(NULL, PAWL_BUSY, "nobody listens"), PAWL_BUSY);
}

TEST(error, context_comes_before_the_message)
{
    pawl_error err = { 0 };
    (void)pw_fail(&err, PAWL_CONFLICT, "the token changed");
    EXPECT_INT(pw_error_context(&err, PAWL_IO, "commit of %d steps", 3), PAWL_CONFLICT);
    EXPECT_TEXT(err.message, "commit of 3 steps: the token changed");
    EXPECT_INT(pw_error_context(NULL, PAWL_IO, "x"), PAWL_IO);
}

TEST(error, what_would_be_bad_input_is_damage_where_it_was_stored)
{
    pawl_error err = { 0 };
    (void)pw_fail(&err, PAWL_INVALID, "JSON line 1");
    EXPECT_INT(pw_error_context(&err, PAWL_IO, "step 2"), PAWL_INVALID);
    EXPECT_INT(pw_error_context(&err, PAWL_CORRUPT, "stored 'data'"), PAWL_CORRUPT);
    EXPECT_INT(err.code, PAWL_CORRUPT);
    EXPECT_TEXT(err.message, "stored 'data': step 2: JSON line 1");
    (void)pw_fail(&err, PAWL_NO_MEMORY, "out of memory");
    EXPECT_INT(pw_error_context(&err, PAWL_CORRUPT, "stored 'data'"), PAWL_NO_MEMORY);
}

TEST(error, a_message_may_be_made_of_itself)
{
    pawl_error err = { 0 };
    (void)pw_fail(&err, PAWL_INVALID, "inner");
    (void)pw_fail(&err, PAWL_INVALID, "outer (%s)", err.message);
    EXPECT_TEXT(err.message, "outer (inner)");
}

TEST(error, a_long_message_is_cut_between_characters)
{
    pawl_error err = { 0 };
    char text[1000];
    for (size_t i = 0; i < 999; i += 3)
        memcpy(text + i, "\xE2\x82\xAC", 3);
    text[999] = '\0';
    (void)pw_fail(&err, PAWL_INVALID, "x%s", text);
    EXPECT_INT(strlen(err.message), 1 + 159 * 3);
    EXPECT(pw_utf8_valid(pw_str_of(err.message)));
}

TEST(error, every_code_has_its_name)
{
    EXPECT_TEXT(pawl_code_name(PAWL_OK), "ok");
    EXPECT_TEXT(pawl_code_name(PAWL_NO_MEMORY), "no-memory");
    EXPECT_TEXT(pawl_code_name((pawl_code)999), "unknown");
}

/* ---- heap */

TEST(alloc, the_nth_allocation_fails_and_all_after_it_until_reset)
{
    pw_alloc_fail_after(2);
    void *first = pw_alloc(10), *second = pw_alloc(10), *third = pw_zalloc(10);
    char *fourth = pw_strdup(PW_LIT("x"));
    pw_alloc_fail_after(0);
    char *fifth = pw_strdup(PW_LIT("ok"));
    EXPECT(first != NULL);
    EXPECT(second == NULL);
    EXPECT(third == NULL);
    EXPECT(fourth == NULL);
    EXPECT_TEXT(fifth, "ok");
    pw_free(first);
    pw_free_text(&fifth);
    EXPECT(fifth == NULL);
}

TEST(alloc, allocations_are_counted)
{
    uint64_t before = pw_alloc_count();
    void *memory = pw_alloc(1);
    memory = memory ? pw_realloc(memory, 100) : NULL;
    EXPECT(memory != NULL);
    EXPECT_INT(pw_alloc_count() - before, 2);
    pw_free(memory);
}

/* ---- growing text */

TEST(buf, text_grows_and_is_given_away)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (int i = 0; i < 200; i++)
        pw_buf_printf(&buf, "%03d,", i);
    pw_buf_str(&buf, PW_LIT("a"));
    pw_buf_text(&buf, "bc");
    pw_buf_char(&buf, 'd');
    EXPECT_INT(buf.len, 804);
    char *text = pw_buf_take(&buf);
    EXPECT_INT(strlen(text), 804);
    EXPECT_TEXT(text + 796, "199,abcd");
    EXPECT_INT(buf.len, 0);
    pw_free(text);
    text = pw_buf_take(&buf);
    EXPECT_TEXT(text, "");
    pw_free(text);
}

TEST(buf, a_long_printf_is_written_whole)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_printf(&buf, "%01000d", 7);
    EXPECT_INT(buf.len, 1000);
    EXPECT_INT(buf.ptr[999], '7');
    pw_buf_done(&buf);
}

TEST(buf, the_cap_is_exact_and_its_failure_sticks)
{
    pw_buf buf;
    pw_buf_init(&buf, 5);
    pw_buf_text(&buf, "12345");
    EXPECT(!buf.failed);
    pw_buf_text(&buf, "6");
    EXPECT(buf.failed);
    EXPECT_STR(pw_buf_view(&buf), "12345");
    pw_buf_add(&buf, "", 0);
    EXPECT(pw_buf_take(&buf) == NULL);
    EXPECT(!buf.failed);
    pw_buf_text(&buf, "123456");
    EXPECT(buf.failed);
    pw_buf_reset(&buf);
    pw_buf_text(&buf, "abc");
    EXPECT_STR(pw_buf_view(&buf), "abc");
    pw_buf_done(&buf);
}

TEST(buf, running_out_of_memory_is_a_failure)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_alloc_fail_after(1);
    pw_buf_text(&buf, "abc");
    pw_alloc_fail_after(0);
    EXPECT(buf.failed);
    pw_buf_text(&buf, "abc");
    EXPECT_INT(buf.len, 0);
    pw_buf_done(&buf);
}

/* ---- UTF-8 */

TEST(utf8, valid_and_malformed_text)
{
    // clang-format off
    static const struct {
        const char *text;
        size_t valid_bytes; /* before the first malformed character */
    } cases[] = {
        { "", 0 },
        { "plain ascii of some length", 26 },
        { "\xC3\xA9", 2 },
        { "\xE2\x82\xAC", 3 },
        { "\xF0\x9D\x84\x9E", 4 },
        { "\xF4\x8F\xBF\xBF", 4 },        /* U+10FFFF */
        { "\xED\x9F\xBF", 3 },            /* U+D7FF */
        { "a\x80", 1 },                   /* continuation alone */
        { "ab\xC0\xAF", 2 },              /* overlong */
        { "\xC1\xBF", 0 },
        { "\xE0\x9F\xBF", 0 },
        { "\xF0\x8F\xBF\xBF", 0 },
        { "12345678\xED\xA0\x80", 8 },    /* surrogate */
        { "\xF4\x90\x80\x80", 0 },        /* above U+10FFFF */
        { "\xF5\x80\x80\x80", 0 },
        { "abc\xE2\x82", 3 },             /* cut */
        { "abc\xF0\x9D\x84", 3 },
        { "\xC3" "A", 0 },
        { "\xFE", 0 },
    };
    // clang-format on
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pw_str s = pw_str_of(cases[i].text);
        if (pw_utf8_valid_length(s) != cases[i].valid_bytes ||
            pw_utf8_valid(s) != (cases[i].valid_bytes == s.len))
            fail_msg("case %zu", i);
    }
}

TEST(utf8, code_points_are_read_written_and_counted)
{
    pw_str s = PW_LIT("a\xC3\xA9\xE2\x82\xAC\xF0\x9D\x84\x9E");
    const uint32_t expected[] = { 'a', 0xE9, 0x20AC, 0x1D11E };
    char out[16];
    size_t at = 0, written = 0;
    for (size_t i = 0; i < 4; i++) {
        uint32_t code_point = pw_utf8_next(s, &at);
        EXPECT_INT(code_point, expected[i]);
        written += pw_utf8_put(out + written, code_point);
    }
    EXPECT_INT(at, s.len);
    EXPECT_INT(written, s.len);
    EXPECT_INT(memcmp(out, s.ptr, s.len), 0);
    EXPECT_INT(pw_utf8_count(s), 4);
}

/* ---- arenas */

TEST(arena, memory_is_aligned_and_zeroed_where_promised)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    for (size_t size = 0; size < 100; size++)
        EXPECT_INT((uintptr_t)pw_arena_alloc(&arena, size) % 16, 0);
    const uint64_t *numbers = PW_NEW_ARRAY(&arena, uint64_t, 1000);
    for (size_t i = 0; i < 1000; i++)
        EXPECT_INT(numbers[i], 0);
    EXPECT(!arena.failed);
    pw_arena_done(&arena);
}

TEST(arena, what_came_before_a_mark_survives_the_rewind)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_str kept = pw_arena_str(&arena, PW_LIT("kept"));
    pw_arena_mark mark = pw_arena_at(&arena);
    size_t used = arena.used;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++)
            memset(pw_arena_alloc(&arena, 5000), 0xEE, 5000);
        pw_arena_rewind(&arena, mark);
        EXPECT_INT(arena.used, used);
    }
    EXPECT_STR(kept, "kept");
    EXPECT_TEXT(kept.ptr, "kept");
    pw_arena_reset(&arena);
    EXPECT_INT(arena.used, 0);
    pw_arena_done(&arena);
}

TEST(arena, a_rewind_over_a_chunks_end_needs_no_new_memory)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    (void)pw_arena_alloc(&arena, 4000);
    pw_arena_mark mark = pw_arena_at(&arena);
    (void)pw_arena_alloc(&arena, 4000);
    pw_arena_rewind(&arena, mark);
    uint64_t before = pw_alloc_count();
    for (int i = 0; i < 10; i++) {
        (void)pw_arena_alloc(&arena, 4000);
        pw_arena_rewind(&arena, mark);
    }
    EXPECT_INT(pw_alloc_count() - before, 0);
    pw_arena_done(&arena);
}

TEST(arena, the_limit_counts_what_is_handed_out)
{
    pw_arena arena;
    pw_arena_init(&arena, 64);
    pw_arena_mark mark = pw_arena_at(&arena);
    EXPECT(pw_arena_alloc(&arena, 33) != NULL); /* 48 with padding */
    EXPECT(pw_arena_alloc(&arena, 17) == NULL);
    EXPECT(arena.failed);
    EXPECT(arena.over_limit);
    EXPECT(pw_arena_alloc(&arena, 16) != NULL);
    EXPECT(arena.failed);
    pw_arena_rewind(&arena, mark);
    EXPECT(!arena.failed);
    EXPECT(!arena.over_limit);
    pw_arena_done(&arena);
}

TEST(arena, sizes_that_overflow_fail)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    EXPECT(pw_arena_array(&arena, SIZE_MAX / 2, 3) == NULL);
    EXPECT(pw_arena_alloc(&arena, SIZE_MAX) == NULL);
    EXPECT(arena.failed);
    EXPECT(!arena.over_limit);
    pw_arena_done(&arena);
}

TEST(arena, a_guard_is_jumped_to_when_memory_runs_out)
{
    pw_arena arena;
    pw_arena_init(&arena, 1000);
    jmp_buf guard;
    volatile int allocated = 0;
    if (setjmp(guard) == 0) {
        EXPECT(pw_arena_guard(&arena, &guard) == NULL);
        for (;;) {
            (void)pw_arena_alloc(&arena, 100);
            allocated++;
        }
    }
    EXPECT(pw_arena_guard(&arena, NULL) == &guard);
    EXPECT_INT(allocated, 8); /* of 112 bytes each */
    EXPECT(arena.over_limit);
    pw_arena_done(&arena);
}

TEST(arena, growing_keeps_what_was_there)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    char *text = pw_arena_grow(&arena, NULL, 0, 10);
    memcpy(text, "123456789", 10);
    EXPECT(pw_arena_grow(&arena, text, 10, 200) == text); /* the newest: in place */
    size_t used = arena.used;
    EXPECT(pw_arena_grow(&arena, text, 200, 20) == text);
    EXPECT_INT(used - arena.used, 208 - 32);
    (void)pw_arena_alloc(&arena, 1);
    char *moved = pw_arena_grow(&arena, text, 20, 5000);
    EXPECT(moved != text);
    EXPECT_TEXT(moved, "123456789");
    pw_arena_done(&arena);
}

TEST(arena, printf_of_any_length)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    EXPECT_STR(pw_arena_printf(&arena, "%s-%d", "a", 5), "a-5");
    pw_str text = pw_arena_printf(&arena, "%0500d", 1);
    EXPECT_INT(text.len, 500);
    EXPECT_INT(text.ptr[499], '1');
    EXPECT_INT(text.ptr[500], '\0');
    pw_arena_done(&arena);
}

TEST(arena, the_heap_running_out_is_reported_and_nothing_is_lost)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_alloc_fail_after(2);
    EXPECT(pw_arena_alloc(&arena, 100) != NULL);
    EXPECT(pw_arena_alloc(&arena, 100000) == NULL);
    pw_alloc_fail_after(0);
    EXPECT(arena.failed);
    EXPECT(!arena.over_limit);
    EXPECT(pw_arena_alloc(&arena, 100000) != NULL);
    pw_arena_done(&arena);
}

/* ---- fault points */

#ifdef PW_FAULTS
/* Runs in a child process, as the environment is read once. Returns how it ended. */
static int pass_points(const char *fault, const char *list, int times)
{
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (fault)
            (void)setenv("PAWL_FAULT", fault, 1);
        if (list)
            (void)setenv("PAWL_FAULT_LIST", list, 1);
        for (int i = 0; i < times; i++) {
            PW_FAULT("before-it");
            PW_FAULT("after-it");
        }
        _exit(7);
    }
    int status = 0;
    EXPECT(waitpid(child, &status, 0) == child);
    return status;
}

TEST(fault, the_process_dies_at_the_nth_passing)
{
    int status = pass_points("after-it:3", NULL, 2);
    EXPECT(WIFEXITED(status));
    EXPECT_INT(WEXITSTATUS(status), 7);
    status = pass_points("after-it:3", NULL, 3);
    EXPECT(WIFSIGNALED(status));
    EXPECT_INT(WTERMSIG(status), SIGKILL);
    status = pass_points("before-it", NULL, 1);
    EXPECT(WIFSIGNALED(status));
    status = pass_points("another", NULL, 5);
    EXPECT(WIFEXITED(status));
}

TEST(fault, points_are_listed_once_when_first_passed)
{
    char path[4200];
    (void)snprintf(path, sizeof path, "%s/points", pw_test_dir());
    EXPECT(WIFEXITED(pass_points(NULL, path, 3)));
    char *text = pw_test_read(path, NULL);
    EXPECT_TEXT(text, "before-it\nafter-it\n");
    free(text);
}
#else
TEST(fault, the_process_dies_at_the_nth_passing)
{
    pw_test_skip("built without fault points (-Dfaults=true)");
}
#endif

TEST_MAIN()
