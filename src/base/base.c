/* base.c - borrowed strings, errors, assertions and the heap.
 *
 * Errors are written into the caller's struct without allocating, so that "out of memory" can be
 * said like anything else. The heap counts its allocations; a test makes the nth of them fail, and
 * all after it, as a process that ran out of memory sees it. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

/* ---- what the public header promises about codes and text */

const char *pawl_code_name(pawl_code code)
{
    switch (code) {
#define CODE_CASE(name, text, action)                                                              \
    case PAWL_##name:                                                                              \
        return text;
        PAWL_CODES(CODE_CASE)
#undef CODE_CASE
    }
    return "unknown"; /* a number from elsewhere */
}

const char *pawl_reason_name(pawl_reason reason)
{
    static const char *const names[] = {
#define REASON_NAME(name, text, action) text,
        PAWL_REASONS(REASON_NAME)
#undef REASON_NAME
    };
    return (unsigned)reason < PW_LENGTH(names) ? names[reason] : "";
}

const char *pawl_reason_action(pawl_reason reason)
{
    static const char *const actions[] = {
#define REASON_ACTION(name, text, action) action,
        PAWL_REASONS(REASON_ACTION)
#undef REASON_ACTION
    };
    return (unsigned)reason < PW_LENGTH(actions) ? actions[reason] : "";
}

const char *pawl_version(void)
{
    return PAWL_VERSION;
}

void pawl_free(void *text)
{
    pw_free(text);
}

/* ---- strings */

pw_str pw_str_of(const char *text)
{
    return (pw_str){ text ? text : "", text ? strlen(text) : 0 };
}

bool pw_str_eq(pw_str a, pw_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

int pw_str_cmp(pw_str a, pw_str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;
    if (order != 0)
        return order < 0 ? -1 : 1;
    return (a.len > b.len) - (a.len < b.len);
}

bool pw_str_starts(pw_str s, pw_str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

/* ---- errors */

/* A message that was cut must not end within a character. */
static void cut_at_character(char *message, size_t len)
{
    size_t end = len;
    while (end > 0 && len - end < 3 && ((unsigned char)message[end - 1] & 0xC0) == 0x80)
        end--;
    if (end == 0)
        return;
    unsigned char lead = (unsigned char)message[end - 1];
    size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (len - end + 1 < wanted)
        message[end - 1] = '\0';
}

static void write_message(pawl_error *err, const char *format, va_list args) PW_PRINTF(2, 0);
static void write_message(pawl_error *err, const char *format, va_list args)
{
    char text[sizeof err->message]; /* the arguments may be the old message */
    int len = vsnprintf(text, sizeof text, format, args);
    if (len < 0)
        text[0] = '\0';
    else if ((size_t)len >= sizeof text)
        cut_at_character(text, sizeof text - 1);
    memcpy(err->message, text, sizeof text);
}

/* "../src/base/json.c" as "base/json.c": the same wherever it was built. */
static const char *source_name(const char *file)
{
    const char *name = strstr(file, "src/");
    return name ? name + 4 : file;
}

pawl_code pw_fail_at(pawl_error *err, const char *file, int line, pawl_code code, int native,
                     const char *format, ...)
{
    if (!err)
        return code;
    va_list args;
    va_start(args, format);
    write_message(err, format, args);
    va_end(args);
    err->code = code;
    err->native = native;
    err->file = source_name(file);
    err->line = line;
    err->reason = PAWL_REASON_NONE;
    return code;
}

pawl_code pw_fail_reason_at(pawl_error *err, const char *file, int line, pawl_code code,
                            pawl_reason reason, const char *format, ...)
{
    if (!err)
        return code;
    va_list args;
    va_start(args, format);
    write_message(err, format, args);
    va_end(args);
    err->code = code;
    err->native = 0;
    err->file = source_name(file);
    err->line = line;
    err->reason = reason;
    return code;
}

pawl_code pw_error_context(pawl_error *err, pawl_code code, const char *format, ...)
{
    if (!err)
        return code;
    char message[sizeof err->message];
    memcpy(message, err->message, sizeof message);
    message[sizeof message - 1] = '\0';
    va_list args;
    va_start(args, format);
    write_message(err, format, args);
    va_end(args);
    size_t context = strlen(err->message), room = sizeof err->message - 1 - context;
    int len = snprintf(err->message + context, room + 1, "%s%s", message[0] ? ": " : "", message);
    if (len > 0 && (size_t)len > room)
        cut_at_character(err->message, sizeof err->message - 1);
    if (err->code == PAWL_OK || (err->code == PAWL_INVALID && code == PAWL_CORRUPT))
        err->code = code;
    return err->code;
}

/* ---- assertions */

static bool (*_Atomic tell_assert)(const char *message);

void pw_on_assert(bool (*tell)(const char *message))
{
    atomic_store(&tell_assert, tell);
}

void pw_assert_failed(const char *file, int line, const char *condition)
{
    char message[480];
    (void)snprintf(message, sizeof message, "%s:%d: assertion failed: %s", source_name(file), line, condition);
    bool (*tell)(const char *) = atomic_load(&tell_assert);
    if (!tell || !tell(message))
        (void)fprintf(stderr, "pawl: %s\n", message);
    abort();
}

/* ---- heap */

/* Relaxed: only numbers; nothing else is published by them. */
static _Atomic uint64_t allocations;
static _Atomic uint64_t fail_from; /* the allocation that fails first; 0: none */

static bool may_allocate(void)
{
    uint64_t number = atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed) + 1;
    uint64_t from = atomic_load_explicit(&fail_from, memory_order_relaxed);
    return from == 0 || number < from;
}

void *pw_alloc(size_t size)
{
    return may_allocate() ? malloc(size ? size : 1) : NULL;
}

void *pw_zalloc(size_t size)
{
    return may_allocate() ? calloc(1, size ? size : 1) : NULL;
}

void *pw_realloc(void *old, size_t size)
{
    return may_allocate() ? realloc(old, size ? size : 1) : NULL;
}

void pw_free(void *memory)
{
    free(memory);
}

char *pw_strdup(pw_str s)
{
    char *copy = s.len < SIZE_MAX ? pw_alloc(s.len + 1) : NULL;
    if (!copy)
        return NULL;
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

void pw_free_text(char **text)
{
    pw_free(*text);
    *text = NULL;
}

void pw_alloc_fail_after(uint64_t n)
{
    uint64_t now = atomic_load_explicit(&allocations, memory_order_relaxed);
    atomic_store_explicit(&fail_from, n ? now + n : 0, memory_order_relaxed);
}

uint64_t pw_alloc_count(void)
{
    return atomic_load_explicit(&allocations, memory_order_relaxed);
}
