/* base.h - what every file of the program uses: strings, errors, assertions, allocation.
 * Include it after the system headers: it turns functions we never use into compile errors. */
#ifndef PW_BASE_H
#define PW_BASE_H

#include <pawl/pawl.h>
#include <assert.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed text: UTF-8 unless said otherwise, not NUL-terminated. */
typedef struct pw_str {
    const char *ptr;
    size_t len;
} pw_str;

#define PW_LIT(text) ((pw_str){ "" text, sizeof(text) - 1 })
#define PW_FMT "%.*s"
#define PW_ARG(s) ((int)((s).len > 4096 ? 4096 : (s).len)), ((s).len ? (s).ptr : "")
#define PW_LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define PW_BIT(n) (1u << (n))
#define PW_AUTO(done) __attribute__((cleanup(done)))
#define PW_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define PW_UNUSED __attribute__((unused))

pw_str pw_str_of(const char *text); /* NULL: empty */
bool pw_str_eq(pw_str a, pw_str b);
int pw_str_cmp(pw_str a, pw_str b); /* by bytes, the shorter first; for UTF-8: by code points */
bool pw_str_starts(pw_str s, pw_str prefix);
static inline bool pw_str_is(pw_str s, const char *literal)
{
    if (s.len == 0)
        return *literal == '\0';
    return *s.ptr == *literal && /* tables of names are searched this way: most end here */
           s.len == strlen(literal) && memcmp(s.ptr, literal, s.len) == 0;
}

/* ---- errors */

/* Fills *err (NULL is fine) and returns code. No allocation. */
pawl_code pw_fail_at(pawl_error *err, const char *file, int line, pawl_code code, int native,
                     const char *format, ...) PW_PRINTF(6, 7);
#define pw_fail(err, code, ...) pw_fail_at(err, __FILE__, __LINE__, code, 0, __VA_ARGS__)
#define pw_fail_native(err, code, native, ...)                                                     \
    pw_fail_at(err, __FILE__, __LINE__, code, native, __VA_ARGS__)
#define pw_fail_reason(err, code, why, ...) /* the same, and more exactly why */                   \
    pw_fail_reason_at(err, __FILE__, __LINE__, code, why, __VA_ARGS__)
pawl_code pw_fail_reason_at(pawl_error *err, const char *file, int line, pawl_code code,
                            pawl_reason reason, const char *format, ...) PW_PRINTF(6, 7);
/* Puts "context: " before the message that is there; returns err->code (code if err is NULL). PAWL_CORRUPT: what was read as
 * input would be, and is PAWL_INVALID, was stored, so it is damage. */
pawl_code pw_error_context(pawl_error *err, pawl_code code, const char *format, ...)
    PW_PRINTF(3, 4);
#define pw_no_memory(err) pw_fail(err, PAWL_NO_MEMORY, "out of memory")

/* ---- assertions: our own mistakes; they stay on in releases */

_Noreturn void pw_assert_failed(const char *file, int line, const char *condition);
/* Whoever keeps a log may say it there: true, it has. NULL: standard error. */
void pw_on_assert(bool (*tell)(const char *message));
#define PW_ASSERT(condition)                                                                       \
    ((condition) ? (void)0 : pw_assert_failed(__FILE__, __LINE__, #condition))
#ifdef PW_CHECKS
#define PW_INVARIANT(condition) PW_ASSERT(condition)
#else
#define PW_INVARIANT(condition) ((void)0)
#endif

/* ---- heap: every allocation can fail in tests */

void *pw_alloc(size_t size);                 /* NULL: out of memory */
void *pw_zalloc(size_t size);
void *pw_realloc(void *old, size_t size);
void pw_free(void *memory);
char *pw_strdup(pw_str s);                   /* NUL-terminated copy; NULL: out of memory */
void pw_free_text(char **text);              /* for PW_AUTO(pw_free_text) */
/* Tests only: the nth allocation from now fails, and all after it (0: none). */
void pw_alloc_fail_after(uint64_t n);
uint64_t pw_alloc_count(void);               /* allocations so far, all threads */

/* ---- growing text with a hard cap and one sticky failure, looked at once at the end */

typedef struct pw_buf {
    char *ptr;
    size_t len, size, cap;
    bool failed;      /* out of memory or over the cap; what was added after is dropped */
    bool over_cap;    /* ... it was the cap */
} pw_buf;

void pw_buf_init(pw_buf *buf, size_t cap);   /* cap 0: 1 GiB */
void pw_buf_done(pw_buf *buf);
void pw_buf_reset(pw_buf *buf);              /* empty, keeps its memory */
void pw_buf_add(pw_buf *buf, const void *bytes, size_t len);
void pw_buf_str(pw_buf *buf, pw_str s);
void pw_buf_text(pw_buf *buf, const char *text);
void pw_buf_char(pw_buf *buf, char c);
void pw_buf_printf(pw_buf *buf, const char *format, ...) PW_PRINTF(2, 3);
static inline pw_str pw_buf_view(const pw_buf *buf)
{
    return (pw_str){ buf->ptr, buf->len };
}
/* Gives the text away, NUL-terminated, and leaves the buffer empty; NULL: it had failed. */
char *pw_buf_take(pw_buf *buf);

/* ---- UTF-8 */

bool pw_utf8_valid(pw_str s);
size_t pw_utf8_valid_length(pw_str s); /* bytes before the first malformed character */
/* Decodes the code point at s.ptr[*at] and moves *at behind it; s must be valid. */
uint32_t pw_utf8_next(pw_str s, size_t *at);
size_t pw_utf8_put(char out[4], uint32_t code_point); /* bytes written */
size_t pw_utf8_count(pw_str s);                       /* code points; s must be valid */

/* ---- fault points: empty in releases; with -Dfaults=true a test kills the process exactly
 * there: PAWL_FAULT="name[:n]" dies by SIGKILL at the nth time (1) that the named point is
 * passed; PAWL_FAULT_LIST=PATH appends each point's name the first time it is passed. */
#ifdef PW_FAULTS
void pw_fault_point(const char *name);
#define PW_FAULT(name) pw_fault_point(name)
#else
#define PW_FAULT(name) ((void)0)
#endif

#ifndef PW_ALLOW_BANNED
#undef alloca /* a macro in glibc */
#pragma GCC poison strcpy strcat strncpy sprintf vsprintf strtok atoi alloca gmtime localtime
#endif
#endif
