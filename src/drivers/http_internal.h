/* http_internal.h - one request on its way: http_transfer.c turns a call into a libcurl transfer
 * and what came of it into a result; http.c decides when. */
#ifndef PW_HTTP_INTERNAL_H
#define PW_HTTP_INTERNAL_H

#include <curl/curl.h>
#include "drivers/drivers_internal.h"
#include "drivers/http.h"

#define PW_HTTP_REDIRECTS_MAX 10
#define PW_HTTP_HEADERS_MAX (1u << 18) /* bytes of all headers of an answer, redirects included */

/* Where requests go instead, and whom they trust (http_egress.c). */
typedef struct pw_egress {
    struct curl_slist *connect_to; /* "HOST:PORT:HOST:PORT" */
    pw_buf hosts;                  /* ",HOST" of each entry: no proxy for these */
    char *certificates;            /* a file; NULL: none beside the system's */
} pw_egress;

PAWL_CHECK pawl_code pw_egress_open(pw_egress *egress, const char *map, const char *certificates,
                                    pawl_error *err);
void pw_egress_close(pw_egress *egress); /* also a zeroed one */

/* Why we ourselves ended a transfer. */
typedef enum pw_http_stop {
    PW_HTTP_STOP_NONE,
    PW_HTTP_STOP_BODY,    /* longer than response_max */
    PW_HTTP_STOP_HEADERS, /* more than PW_HTTP_HEADERS_MAX */
    PW_HTTP_STOP_MEMORY,
} pw_http_stop;

typedef struct pw_http_transfer {
    pw_http_call call; /* first: one allocation, so that a start needs none that could fail */

    /* Under the driver's lock. */
    pw_visit_entry entry;
    struct pw_http_transfer *inbox_next;
    struct pw_http_transfer *cancel_next;
    bool cancel_wanted, cancel_listed;

    /* The driver's thread's. */
    bool dropped;                             /* cancelled before it had a lane */
    struct pw_http_transfer *before, *behind; /* in its lane's queue */
    struct pw_http_lane *lane;                /* NULL: not queued and not sent */
    CURL *easy;                               /* NULL: not sent */
    struct curl_slist *head;
    const char *uri;
    const char *method;
    pw_str peer;     /* "host:port" of the uri */
    bool own_method; /* by CURLOPT_CUSTOMREQUEST */
    uint64_t timeout_ms, connect_timeout_ms, started_ms;
    pw_header *headers;
    size_t header_count, header_size, header_bytes;
    pw_buf body;
    pw_http_stop stop;
    char error[CURL_ERROR_SIZE];
} pw_http_transfer;

/* What all transfers of a driver have in common. */
typedef struct pw_http_common {
    uint64_t timeout_ms, connect_timeout_ms;
    size_t response_max;
    const char *no_proxy;
    const pw_egress *egress;
} pw_http_common;

/* Checks the request and fills uri, method and peer. False: the result says what is wrong. */
bool pw_http_transfer_check(pw_http_transfer *transfer);
/* Makes `easy` ready to be sent. False: out of memory. */
bool pw_http_transfer_setup(pw_http_transfer *transfer, CURL *easy, const pw_http_common *common);
/* Fills the call's result from an ended transfer. */
void pw_http_transfer_result(pw_http_transfer *transfer, CURLcode code,
                             const pw_http_common *common);
/* "not answered", and why: `why` must live as long as the arena. */
void pw_http_transfer_fail(pw_http_transfer *transfer, pw_str why);
/* Frees what a result does not need. */
void pw_http_transfer_clear(pw_http_transfer *transfer);
#endif
