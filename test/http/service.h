/* service.h - a small HTTP/1.1 service on loopback, in this process, that answers as a test tells
 * it - also badly - and records what it was asked. For tests only: one thread per connection, and a
 * test that waits longer than 30 s for something ends the program. All functions may be called from
 * any thread. */
#ifndef PW_TEST_SERVICE_H
#define PW_TEST_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct service service;

typedef enum service_manner {
    SERVICE_ANSWER,       /* with Content-Length */
    SERVICE_CHUNKED,      /* the body in chunks of 7 bytes */
    SERVICE_UNTIL_CLOSE,  /* without a length: the connection's end is the body's */
    SERVICE_CLOSE,        /* no answer: closes after the request */
    SERVICE_CLOSE_MIDWAY, /* announces the whole body, sends half of it, closes */
    SERVICE_RESET_MIDWAY, /* the same with RST */
    SERVICE_GARBAGE,      /* sends the body as it is, and closes */
    SERVICE_STALL,        /* sends the headers and half of the body, the rest when released */
    SERVICE_ENDLESS_BODY, /* until the other side closes */
    SERVICE_ENDLESS_HEADERS,
} service_manner;

typedef struct service_answer {
    int status;          /* 0: 200 */
    const char *headers; /* "Name: value\r\n" each; NULL: none */
    const char *body;    /* NULL: empty */
    size_t body_len;     /* 0: as long as the text */
    service_manner manner;
    bool hold;      /* answers only when released */
    unsigned delay_ms; /* of a service that is slow: for what must take longer than something else */
    unsigned times; /* how often, then the next answer of the path; 0: for ever */
} service_answer;

/* As received. Valid as long as the service. */
typedef struct service_request {
    const char *method, *path; /* the path with its query */
    const char *head;          /* the header lines, each with \r\n */
    const char *body;          /* NUL-terminated too */
    size_t body_len;
    unsigned connection; /* from 1 */
} service_request;

service *service_new(void); /* listens on 127.0.0.1, at a port of its own */
void service_free(service *s);
int service_port(const service *s);
/* "http://127.0.0.1:PORT" + path; valid as long as the service. */
const char *service_url(service *s, const char *path);
/* What is answered at a path (without query), after what was said before for it; texts are
 * borrowed. Else 404. */
void service_on(service *s, const char *path, service_answer answer);
/* Lets the next `count` held answers go, waiting or still to come. */
void service_release(service *s, unsigned count);
void service_wait_requests(service *s, unsigned count); /* until so many have come in all */
/* Waits until `count` answers are held at once. */
void service_wait_held(service *s, unsigned count);
unsigned service_requests(service *s);
unsigned service_connections(service *s); /* made so far */
unsigned service_at_once_max(service *s); /* most requests being answered at a time */
const service_request *service_request_at(service *s,
                                          unsigned at); /* from 0, in the order of arrival */
/* The value of the first header of this name; NULL: none. Valid as long as the service. */
const char *service_header(service *s, const service_request *request, const char *name);
unsigned service_header_count(const service_request *request, const char *name);
/* A port of 127.0.0.1 where nobody listens. */
int service_dead_port(void);
#endif
