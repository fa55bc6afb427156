/* exchange.h - HTTP exchanges without a connection, for tests of the API alone: what exchange.h of
 * the server declares, for a program that is not linked with the listener. One test program
 * includes it once. */
#ifndef PW_TEST_EXCHANGE_H
#define PW_TEST_EXCHANGE_H

#include <stdio.h>
#include <stdlib.h>
#include "server/api.h"

enum { EXCHANGE_HEADERS_MAX = 16, EXCHANGE_TURNS_MAX = 1000 };

struct pw_exchange {
    pw_method method;
    pw_str path, query, body;
    struct {
        pw_str name, value;
    } headers[EXCHANGE_HEADERS_MAX];
    size_t header_count;
    /* what came of it */
    pw_arena arena;
    void *own;
    const char *label;
    unsigned answers, status;
    const char *type;
    char answer[65536]; /* cut at its end */
    bool parked;
    void *span;
};

static inline char exchange_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

void **pw_exchange_span(pw_exchange *x)
{
    return &x->span;
}

pw_method pw_exchange_method(const pw_exchange *x)
{
    return x->method;
}

pw_str pw_exchange_method_name(const pw_exchange *x)
{
    static const char *const names[] = { "GET",   "HEAD",   "POST",    "PUT",
                                         "PATCH", "DELETE", "OPTIONS", "OTHER" };
    return pw_str_of(names[x->method]);
}

pw_str pw_exchange_path(const pw_exchange *x)
{
    return x->path;
}

pw_str pw_exchange_query(const pw_exchange *x)
{
    return x->query;
}

pw_str pw_exchange_header(const pw_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->header_count; i++) {
        pw_str given = x->headers[i].name;
        size_t at = 0;
        while (at < given.len && name[at] &&
               exchange_lower(given.ptr[at]) == exchange_lower(name[at]))
            at++;
        if (at == given.len && !name[at])
            return x->headers[i].value;
    }
    return (pw_str){ 0 };
}

void pw_exchange_headers(const pw_exchange *x,
                         void (*each)(void *context, pw_str name, pw_str value), void *context)
{
    for (size_t i = 0; i < x->header_count; i++)
        each(context, x->headers[i].name, x->headers[i].value);
}

pw_str pw_exchange_body(const pw_exchange *x)
{
    return x->body;
}

pw_arena *pw_exchange_arena(pw_exchange *x)
{
    return &x->arena;
}

void **pw_exchange_own(pw_exchange *x)
{
    return &x->own;
}

const char **pw_exchange_label(pw_exchange *x)
{
    return &x->label;
}

uint64_t pw_exchange_age_us(const pw_exchange *x)
{
    (void)x;
    return 7000;
}

uint64_t pw_exchange_number(const pw_exchange *x)
{
    (void)x;
    return 7;
}

bool pw_exchange_put(pw_exchange *x, const char *name, pw_str value)
{
    (void)x, (void)name;
    return value.len == 0 || !memchr(value.ptr, '\n', value.len);
}

void pw_exchange_answer(pw_exchange *x, unsigned status, const char *type, pw_str body)
{
    size_t length = body.len < sizeof x->answer - 1 ? body.len : sizeof x->answer - 1;
    x->answers++;
    x->status = status;
    x->type = type;
    x->parked = false;
    if (type && length)
        memcpy(x->answer, body.ptr, length);
    x->answer[type ? length : 0] = '\0';
}

void pw_exchange_park(pw_exchange *x, uint64_t timeout_ms)
{
    (void)timeout_ms;
    x->parked = true;
}

void pw_exchange_wake(pw_exchange *x)
{
    (void)x; /* it is asked again and again */
}

bool pw_exchange_alive(pw_exchange *x)
{
    (void)x;
    return true;
}

static void exchange_header(pw_exchange *x, pw_str name, pw_str value)
{
    if (x->header_count == EXCHANGE_HEADERS_MAX)
        return;
    x->headers[x->header_count].name = name;
    x->headers[x->header_count++].value = value;
}

/* All turns of it: woken three times, then the server stops. */
static void exchange_run(pw_exchange *x, pw_api *api)
{
    pw_arena_init(&x->arena, 0);
    pw_api_handle(api, x, PW_TURN_FIRST);
    for (unsigned turn = 0; x->parked && turn < EXCHANGE_TURNS_MAX; turn++)
        pw_api_handle(api, x, turn < 3 ? PW_TURN_WOKEN : PW_TURN_STOPPING);
    pw_arena_done(&x->arena);
}
#endif
