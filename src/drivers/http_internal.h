/* http_internal.h - one request on its way: http_transfer.c turns a call into a libcurl transfer,
 * http_redirect.c into the next one, http_answer.c makes a result of what came; http.c decides when. */
#ifndef PW_HTTP_INTERNAL_H
#define PW_HTTP_INTERNAL_H

#include <curl/curl.h>
#include "drivers/drivers_internal.h"
#include "drivers/http.h"
#include "drivers/http_egress.h"

#define PW_HTTP_REDIRECTS_MAX 10
#define PW_HTTP_HEADERS_MAX (1u << 18) /* bytes of all headers of an answer, redirects included */

/* Why we ourselves ended a transfer. */
typedef enum pw_http_stop {
    PW_HTTP_STOP_NONE,
    PW_HTTP_STOP_BODY,    /* longer than response_max */
    PW_HTTP_STOP_HEADERS, /* more than PW_HTTP_HEADERS_MAX */
    PW_HTTP_STOP_MEMORY,
} pw_http_stop;

typedef struct pw_http_lane pw_http_lane; /* http_services.h */

/* Where a request goes. Text is in the call's arena. */
typedef struct pw_http_target {
    const char *uri;
    bool secure;
    pw_str host; /* as in the URI, with the brackets of an IPv6 address */
    pw_str port;
    pw_str peer; /* "host:port" */
    pw_str key;  /* "scheme://host:port" in lower case */
} pw_http_target;

typedef struct pw_http_transfer {
    pw_http_call call; /* first: one allocation, so that a start needs none that could fail */

    /* Under the driver's lock. */
    pw_visit_entry entry;
    struct pw_http_transfer *inbox_next;
    struct pw_http_transfer *cancel_next;
    bool cancel_wanted, cancel_listed;
    pw_http_lane *service; /* NULL: not queued and not sent */
    struct pw_http_transfer *before, *behind; /* in its service's queue, or among those that are sent */
    struct pw_http_transfer *hasty_before, *hasty_behind; /* among those that do not wait for a breaker */
    bool sent, probe;
    uint64_t started_ms; /* when it was sent; only the driver's thread writes it */

    /* The driver's thread's. */
    bool dropped;  /* cancelled before it had a service */
    CURL *easy;    /* NULL: not sent */
    struct curl_slist *head;
    pw_http_target target;
    const char *method;
    pw_route route;
    const pw_egress *egress;
    const pw_address_verdict *refused; /* the first address to which it must not go */
    bool connecting; /* a socket was opened for it */
    bool begun;      /* a connection was ready: from now on something of it may have reached somebody */
    bool left;       /* it was redirected to another service: secrets stay behind */
    bool bodiless;   /* it was redirected, and its body stayed behind */
    uint32_t redirects; /* followed so far */
    uint64_t timeout_ms, connect_timeout_ms;
    pw_header *headers;
    size_t header_count, header_size, header_bytes;
    pw_buf body;
    pw_http_stop stop;
    char *error; /* libcurl's, CURL_ERROR_SIZE bytes, while it is sent */
} pw_http_transfer;

/* What all transfers of a driver have in common. */
typedef struct pw_http_common {
    uint64_t timeout_ms, connect_timeout_ms;
    size_t response_max;
    uint32_t redirects;
    const pw_egress *egress;
} pw_http_common;

/* ---- http_transfer.c */

/* False: `uri` is no absolute URI, or out of memory (arena->failed); *http: its scheme is one that we speak. Else only uri and
 * peer are filled. */
bool pw_http_target_of(pw_http_target *out, pw_arena *arena, const char *uri, bool *http);
/* Checks the request and fills target and method. False: the result says what is wrong. */
bool pw_http_transfer_check(pw_http_transfer *transfer);
/* Makes `easy` ready to be sent. False: out of memory, or its time is over. */
bool pw_http_transfer_setup(pw_http_transfer *transfer, CURL *easy, const pw_http_common *common);
/* Frees what a result does not need. */
void pw_http_transfer_clear(pw_http_transfer *transfer);
bool pw_http_same_name(pw_str name, const char *literal); /* of headers */
bool pw_http_token(pw_str text);                          /* RFC 9110, 5.6.2 */

/* ---- http_redirect.c */

/* Whether the answer leads to another request, which is then in `transfer`, to be set up. False: the answer is the answer, or the
 * result says what is wrong with it (*failed). */
bool pw_http_redirect(pw_http_transfer *transfer, const pw_http_common *common, bool *failed);
/* A header of the request goes along to another service. */
bool pw_http_goes_along(pw_str name);

/* ---- http_answer.c */

size_t pw_http_take_header(char *bytes, size_t size, size_t count, void *transfer);
size_t pw_http_take_body(char *bytes, size_t size, size_t count, void *transfer);
/* Fills the call's result from an ended transfer. */
void pw_http_transfer_result(pw_http_transfer *transfer, CURLcode code,
                             const pw_http_common *common);
/* "not answered", and why: `why` must live as long as the arena. */
void pw_http_transfer_fail(pw_http_transfer *transfer, pw_error_class class_, pw_str why);
void pw_http_transfer_late(pw_http_transfer *transfer); /* the same: its time is over */
#endif
