/* exchange.h - HTTP, as far as the API need not know how it is done: one exchange is one request and its answer.
 *
 * The listener (listener.c) accepts connections (libmicrohttpd), reads a request whole within its limits, and calls the
 * handler on one of its worker threads. The handler answers, or parks the exchange: it takes no thread and little memory
 * then, until somebody wakes it, its time is over, its client has gone, or the server stops; then the handler is called
 * again. Every exchange is answered exactly once. */
#ifndef PW_EXCHANGE_H
#define PW_EXCHANGE_H

#include "base/arena.h"

typedef struct pw_exchange pw_exchange;

typedef enum pw_method { PW_GET, PW_HEAD, PW_POST, PW_PUT, PW_PATCH, PW_DELETE, PW_OPTIONS, PW_OTHER } pw_method;

typedef enum pw_turn {
    PW_TURN_FIRST,    /* the request has come */
    PW_TURN_WOKEN,    /* pw_exchange_wake() was called */
    PW_TURN_TIMEOUT,  /* the time that it was parked for is over */
    PW_TURN_GONE,     /* nobody is there to hear the answer, which must be given all the same (it is dropped) */
    PW_TURN_STOPPING, /* the server stops: answer now */
} pw_turn;

/* On a worker thread, never twice at once for one exchange. It has answered or parked when it returns. */
typedef void (*pw_handler_fn)(void *context, pw_exchange *exchange, pw_turn turn);

pw_method pw_exchange_method(const pw_exchange *exchange);
pw_str pw_exchange_method_name(const pw_exchange *exchange);
pw_str pw_exchange_path(const pw_exchange *exchange);   /* as it came: percent-encoded, without the query */
pw_str pw_exchange_query(const pw_exchange *exchange);  /* as it came, without '?' */
/* The first of that name (in any case); ptr NULL: none. Valid as long as the exchange, but not its body while parked. */
pw_str pw_exchange_header(const pw_exchange *exchange, const char *name);
/* Every header: for CloudEvents in binary form. */
void pw_exchange_headers(const pw_exchange *exchange, void (*each)(void *context, pw_str name, pw_str value), void *context);
pw_str pw_exchange_body(const pw_exchange *exchange);   /* whole; gone once the exchange has been parked */
bool pw_exchange_secure(const pw_exchange *exchange);   /* by TLS */
pw_str pw_exchange_peer(const pw_exchange *exchange);   /* "127.0.0.1:40000" */
pw_arena *pw_exchange_arena(pw_exchange *exchange);     /* as long as the exchange; keep it small while parked */
void **pw_exchange_own(pw_exchange *exchange);          /* the handler's, from turn to turn */
const char **pw_exchange_label(pw_exchange *exchange);  /* the handler's: what it is counted as; NULL at first */
void **pw_exchange_span(pw_exchange *exchange);         /* the handler's: the span that it is; NULL at first */
uint64_t pw_exchange_age_us(const pw_exchange *exchange); /* since its request line had come */
uint64_t pw_exchange_number(const pw_exchange *exchange); /* unique in the process: a request id */

/* Adds a header to the answer; text is copied. False: not a name or a value, nothing (""), one that the listener writes
 * itself (Content-Type, Connection, Date, ...), more than 1,500 bytes in all, or no memory. */
bool pw_exchange_put(pw_exchange *exchange, const char *name, pw_str value);
/* The answer; `type` NULL: no body. The body is copied. */
void pw_exchange_answer(pw_exchange *exchange, unsigned status, const char *type, pw_str body);

/* The handler is called again, at the latest after timeout_ms. A wake that comes before this returns counts. With
 * PW_TURN_GONE and PW_TURN_STOPPING there is nothing to wait for: the handler must answer then. */
void pw_exchange_park(pw_exchange *exchange, uint64_t timeout_ms);
/* Any thread, any time between the request and the answer; more than once is harmless. */
void pw_exchange_wake(pw_exchange *exchange);
/* Any thread: whether the client is still there, as far as the socket tells without waiting. */
bool pw_exchange_alive(pw_exchange *exchange);

/* ------------------------------------------------------------------ the listener */

typedef struct pw_listener pw_listener;

typedef struct pw_listener_options { /* zero means default */
    const char *listen;          /* "127.0.0.1:8080,[::1]:0" */
    const char *certificate, *key; /* PEM files; NULL: no TLS */
    uint32_t workers;            /* threads that call the handler; 0: 32 */
    uint32_t connections;        /* at once; 0: 20000; more are refused. The descriptor limit is raised as far as allowed */
    uint32_t per_address;        /* of them from one address; 0: no limit */
    size_t body_max;             /* bytes; 0: 16 MiB; more: 413 */
    size_t header_max;           /* bytes of request line and headers, and 64 more for each header and cookie;
                                  * 0: 8 KiB; more: 431. Every connection takes this and 2 KiB */
    size_t bodies_max;           /* bytes of bodies held at once by all; 0: 256 MiB; more: 503 */
    uint64_t idle_ms;            /* a connection without a request, or a request that does not go on; 0: 30000 */
    uint64_t request_ms;         /* from the first byte of a request to its last; 0: 60000 */
} pw_listener_options;

PAWL_CHECK pawl_code pw_listener_open(pw_listener **out, const pw_listener_options *options, pw_handler_fn handler,
                                      void *context, pawl_error *err);
/* "http://127.0.0.1:8080,..." */
const char *pw_listener_addresses(const pw_listener *listener);
typedef struct pw_listener_counts {
    uint64_t connections, parked, running, queued, body_bytes; /* now */
    uint64_t requests, refused, timed_out;                      /* since it was opened */
} pw_listener_counts;
void pw_listener_count(const pw_listener *listener, pw_listener_counts *out);
/* No new connections or requests; what is parked gets PW_TURN_STOPPING; returns when all is answered and sent, or the time is over. */
void pw_listener_drain(pw_listener *listener, uint64_t timeout_ms);
void pw_listener_close(pw_listener *listener); /* drops what is left. NULL is fine */
#endif
