/* http.h - sends committed HTTP calls: one thread, many requests at once, connections reused (libcurl multi). */
#ifndef PW_HTTP_H
#define PW_HTTP_H

#include "core/core.h"
#include "policy/breaker.h"

typedef struct pw_http pw_http;

#define PW_HTTP_IN_FLIGHT_MAX 65536
#define PW_EGRESS_MAX 1000u /* entries of the map */

typedef struct pw_http_options { /* zero means default */
    uint32_t in_flight;        /* 256, at most PW_HTTP_IN_FLIGHT_MAX: more wait in a queue, in order */
    uint32_t per_host;         /* 64 requests at once to one service: the bulkhead */
    uint64_t timeout_ms;       /* 60000: one attempt, name resolution to last byte, its wait in the queue not counted */
    uint64_t connect_timeout_ms; /* 10000 */
    size_t response_max;       /* 16 MiB of body; more is an error */
    const char *egress_map;    /* "https://HOST[:PORT]=HOST:PORT,...": where connections go instead */
    const char *egress_ca;     /* a PEM file: certificates trusted beside the system's */
    const char *egress_allow;  /* "loopback", "private", "link-local", "all", addresses and networks ("10.1.0.0/16", "fd00::/8"),
                                * with commas: addresses to which calls may go although they are not public. A connection
                                * that the map sends somewhere may go there. NULL: none */
    const char *proxy;         /* URL; NULL: as the environment says; "": none */
    const char *no_proxy;      /* beside what the environment names and loopback */
    bool insecure_tls;         /* certificates are not checked: for tests */
    const char *client_certificate, *client_key; /* PEM files, shown to services that ask */
    uint32_t redirects;        /* followed at most; 0: 10 */
    double per_second;         /* calls to one service; 0: no limit */
    pw_breaker_settings breaker; /* all zero: pw_breaker_default */
    int64_t (*now_ms)(void *clock); /* of breakers and rates; NULL: the system's clock. Who moves it calls pw_http_wake() */
    void *clock;
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
    pw_str service;            /* whose breaker, bulkhead and rate it is; empty: scheme, host and port of its URI */
    pw_breaker_settings breaker; /* for this call; members that are 0: the driver's */
    uint32_t at_once;          /* 0: per_host */
    double per_second;         /* 0: the driver's */
    bool fail_when_open;       /* a closed door is its result (class OPEN); else it waits for the breaker */
    pw_call_request request;
    pw_call_result result;     /* set when the callback comes */
    uint64_t sequence;         /* the owner's: of the step that has begun this attempt; 0: it is not known */
    bool resent;               /* the owner's: the same was sent before, and nobody knows what became of it */
    bool cancelled;            /* result: it was cancelled before an answer came */
    void *driver;              /* the driver's own */
} pw_http_call;

pw_http_call *pw_http_call_new(void); /* NULL: out of memory */
void pw_http_call_free(pw_http_call *call);

/* Called once for each started call, on the driver's thread; must not block. */
typedef void (*pw_http_done_fn)(void *context, pw_http_call *call);

/* A breaker of this process wants to be another: `want` has the service, the state and why. OPEN and CLOSED hold here
 * already, and are to be stored; HALF_OPEN: the probe is sent when pw_http_breaker_told() says that it is ours. On the
 * driver's thread; must not block. NULL: nobody stores it, every probe is ours. */
typedef void (*pw_http_breaker_fn)(void *context, const pw_breaker_record *want);

PAWL_CHECK pawl_code pw_http_new(pw_http **out, const pw_http_options *options, pw_http_done_fn on_done,
                                 void *context, pawl_error *err);
/* Any thread. Never fails after this: what goes wrong is the call's result. */
void pw_http_start(pw_http *http, pw_http_call *call);
/* Any thread. The call of (instance, visit), if there is one, ends soon as cancelled. */
void pw_http_cancel(pw_http *http, pw_str instance, uint64_t visit);
/* Cancels everything, calls back for each, joins the thread. NULL is fine. */
void pw_http_free(pw_http *http);
uint32_t pw_http_in_flight(pw_http *http); /* started and not called back */

/* Before the first start; with the driver's context. */
void pw_http_on_breaker(pw_http *http, pw_http_breaker_fn on_breaker);
/* Any thread: who gave the driver a clock has moved it. */
void pw_http_wake(pw_http *http);
/* Any thread: what the row of a service is now; `ours`: HALF_OPEN, and the probe is this process's. Copied. */
PAWL_CHECK pawl_code pw_http_breaker_told(pw_http *http, const pw_breaker_record *record, bool ours, pawl_error *err);

typedef struct pw_http_service { /* what is known of one; text in the caller's arena */
    pw_str service;
    pw_breaker_state state;
    pw_breaker_force forced;
    int64_t open_until_ms; /* -1 */
    uint32_t calls, failures; /* in the window */
    uint32_t waiting, active; /* calls of this process: not sent yet; sent */
    uint64_t sent, failed, refused; /* since the process began; refused: by fail_when_open */
    pw_str last_error;     /* of the last failure; empty: none */
} pw_http_service;
/* Any thread. All that have a call now or had one lately, by name. */
PAWL_CHECK pawl_code pw_http_services(pw_http *http, pw_http_service **out, size_t *count, pw_arena *arena, pawl_error *err);

/* The service that the call was for; empty: its URI has none. For on_done. */
pw_str pw_http_call_service(const pw_http_call *call);
/* The service of a URI, if its task gives no other name: "scheme://host:port" in lower case; empty: it has none. */
pw_str pw_http_service_name(pw_arena *arena, pw_str uri);

/* Where the call of (instance, visit) is now; false: it is not here. Any thread. */
typedef struct pw_http_place {
    enum { PW_HTTP_QUEUED, PW_HTTP_HELD, PW_HTTP_SENT } where; /* HELD: by the breaker, or the rate */
    pw_str service;
    pw_breaker_state state; /* what holds: an operator's word goes before what was seen */
    int64_t until_ms; /* HELD: as far as is known; -1: nobody knows, as of a breaker that is forced open */
} pw_http_place;
bool pw_http_look(pw_http *http, pw_str instance, uint64_t visit, pw_http_place *out, pw_arena *arena);

/* A call that was sent, and whose time was over so long ago: the driver's thread does not get on. Text in the caller's arena. */
typedef struct pw_http_late {
    pw_str instance, service;
    uint64_t visit, over_ms;
} pw_http_late;
/* Up to `limit`, whose time is over for at least by_ms. Any thread. */
PAWL_CHECK pawl_code pw_http_lates(pw_http *http, uint64_t by_ms, size_t limit, pw_http_late **out, size_t *count, pw_arena *arena,
                                   pawl_error *err);
#endif
