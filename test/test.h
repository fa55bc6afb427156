/* test.h - TEST and EXPECT_... over cmocka. A test program is one or more TEST(suite, sentence)
 * and, last, TEST_MAIN(). It prints one TAP plan; --list prints names; an argument is a filter. */
#ifndef PW_TEST_H
#define PW_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

typedef struct pw_test {
    const char *name;
    void (*run)(void **state);
    struct pw_test *next;
} pw_test;

void pw_test_add(pw_test *test);
int pw_test_main(int argc, char **argv);
/* Prints the message as TAP diagnostics and fails the test. */
_Noreturn void pw_test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#undef fail_msg /* cmocka's prints to stderr, away from the test's line */
#define fail_msg(...) pw_test_fail(__FILE__, __LINE__, __VA_ARGS__)
/* Ends the test as "skipped", with the reason. */
_Noreturn void pw_test_skip(const char *reason);
/* The data folder beside the checkout (environment PAWL_SHARED, else the path given by the build);
 * NULL when it is not there. */
const char *pw_test_shared(void);
/* A fresh empty directory, removed after the test; valid until then. */
const char *pw_test_dir(void);
/* Files may not grow beyond so many bytes, as on a full disk: until it is called with 0, or the test has ended. What the
 * test prints meanwhile is not cut. */
void pw_test_limit_files(size_t bytes);
static inline void fill_disk(bool full) /* little enough that no store, journal or export can be written */
{
    pw_test_limit_files(full ? 512 : 0);
}
/* The whole file, NUL-terminated, to free(); fails the test if it cannot be read. */
char *pw_test_read(const char *path, size_t *len);

#define TEST(suite, sentence)                                                                      \
    static void test_##suite##_##sentence(void **fixture_);                                        \
    __attribute__((constructor)) static void add_##suite##_##sentence(void)                        \
    {                                                                                              \
        static pw_test test = { #suite ": " #sentence, test_##suite##_##sentence, NULL };          \
        pw_test_add(&test);                                                                        \
    }                                                                                              \
    static void test_##suite##_##sentence(__attribute__((unused)) void **fixture_)

#define TEST_MAIN()                                                                                \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return pw_test_main(argc, argv);                                                           \
    }

#define EXPECT(condition) assert_true(condition)
#define EXPECT_INT(actual, expected) assert_int_equal((actual), (expected))
#define EXPECT_TEXT(actual, expected) assert_string_equal((actual), (expected))
#define EXPECT_STR(actual, expected) /* pw_str against a literal */                                \
    do {                                                                                           \
        pw_str actual_ = (actual);                                                                 \
        char text_[4096];                                                                          \
        (void)snprintf(text_, sizeof text_, "%.*s", (int)actual_.len, actual_.ptr ? actual_.ptr : ""); \
        assert_string_equal(text_, (expected));                                                    \
    } while (0)
#define EXPECT_CONTAINS(text, part)                                                                \
    do {                                                                                           \
        const char *in_ = (text);                                                                  \
        if (!strstr(in_, (part)))                                                                  \
            fail_msg("\"%s\" does not contain \"%s\"", in_, (part));                               \
    } while (0)
#define EXPECT_OK(call, err) /* the error's message is shown when it is not */                     \
    do {                                                                                           \
        int code_ = (int)(call);                                                                   \
        if (code_ != 0)                                                                            \
            fail_msg("%s: %d: %s", #call, code_, (err).message);                                   \
    } while (0)
#endif
