/* http.h - sends committed HTTP calls: one thread, many requests at once, connections reused (libcurl multi). */
#ifndef PW_HTTP_H
#define PW_HTTP_H

#include "core/core.h"

typedef struct pw_http pw_http;

#define PW_HTTP_IN_FLIGHT_MAX 65536
#define PW_EGRESS_MAX 1000u /* entries of the map */

typedef struct pw_http_options { /* zero means default */
    uint32_t in_flight;        /* 256, at most PW_HTTP_IN_FLIGHT_MAX: more wait in a queue, in order */
    uint32_t per_host;         /* 64 requests at once to one scheme, host and port */
    uint64_t timeout_ms;       /* 60000: one attempt, name resolution to last byte, its wait in the queue not counted */
    uint64_t connect_timeout_ms; /* 10000 */
    size_t response_max;       /* 16 MiB of body; more is an error */
    const char *egress_map;    /* "https://HOST[:PORT]=HOST:PORT,...": where connections go instead */
    const char *egress_ca;     /* a PEM file: certificates trusted beside the system's */
} pw_http_options;

/* One request. Made by the caller with pw_http_call_new; the driver owns it from start to the callback, which gives it
 * back: so the place for the answer is there before the first byte is sent. */
typedef struct pw_http_call {
    struct pw_http_call *next; /* the owner's, before start and after the callback */
    pw_arena arena;            /* holds all of it, and the result */
    pw_str instance;
    uint64_t visit;
    uint32_t attempt;
    pw_str key;                /* sent as Idempotency-Key */
    pw_str correlation;        /* sent as X-Correlation-ID; empty, or no text for a header: not */
    pw_str trace;              /* sent as traceparent; the same */
    uint64_t timeout_ms;       /* 0: the driver's */
    pw_call_request request;
    pw_call_result result;     /* set when the callback comes */
    bool cancelled;            /* result: it was cancelled before an answer came */
    void *driver;              /* the driver's own */
} pw_http_call;

pw_http_call *pw_http_call_new(void); /* NULL: out of memory */
void pw_http_call_free(pw_http_call *call);

/* Called once for each started call, on the driver's thread; must not block. */
typedef void (*pw_http_done_fn)(void *context, pw_http_call *call);

PAWL_CHECK pawl_code pw_http_new(pw_http **out, const pw_http_options *options, pw_http_done_fn on_done,
                                 void *context, pawl_error *err);
/* Any thread. Never fails after this: what goes wrong is the call's result. */
void pw_http_start(pw_http *http, pw_http_call *call);
/* Any thread. The call of (instance, visit), if there is one, ends soon as cancelled. */
void pw_http_cancel(pw_http *http, pw_str instance, uint64_t visit);
/* Cancels everything, calls back for each, joins the thread. NULL is fine. */
void pw_http_free(pw_http *http);
uint32_t pw_http_in_flight(pw_http *http); /* started and not called back */
#endif
