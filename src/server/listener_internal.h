/* listener_internal.h - what the files of the listener share.
 *
 *     listener.c           opens, counts, drains, closes
 *     listener_address.c   "127.0.0.1:8080,[::1]:0" to listening sockets
 *     listener_loop.c      the thread "pawl-http": accepts, watches sockets, keeps times, runs
 * libmicrohttpd listener_request.c   what libmicrohttpd calls: requests with their limits, answers
 *     exchange.c           the turns of an exchange: the threads "pawl-http-work", park, wake,
 * answer
 *
 * libmicrohttpd has no thread of its own here: it is run by the loop, so that all it touches, and
 * every `connection`, belongs to one thread and needs no lock. What workers and the loop share is
 * an exchange's turns, the two lists that exchanges stand in, and the counts: all under one lock,
 * which is never held while anything is called.
 *
 * To answer one suspended connection libmicrohttpd looks at all of them. So the connections are
 * dealt out to many of its daemons, the shares, all run by the loop: with 10,000 parked an answer
 * looks at 157 (doc/performance.md). */
#ifndef PW_LISTENER_INTERNAL_H
#define PW_LISTENER_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include "server/exchange.h"

enum {
    PW_HTTP_SOCKETS = 16, /* listening at once */
    PW_HTTP_SHARES = 256,
    PW_HTTP_SHARE = 64, /* connections, when all that may come are there; more if that would be too
                           many shares */
    PW_HTTP_LINGERING = 64,
    PW_HTTP_PEER_SIZE = 56, /* "[" 45 characters "]:65535" and NUL */
};

/* Answers of our own, made at the start: to refuse something takes no memory. */
typedef enum pw_refusal {
    PW_REFUSE_TARGET,   /* 400 */
    PW_REFUSE_HEADER,   /* 400 */
    PW_REFUSE_HOST,     /* 400 */
    PW_REFUSE_FRAMING,  /* 400: where the body ends is not clear */
    PW_REFUSE_BODY,     /* 413 */
    PW_REFUSE_EXPECT,   /* 417 */
    PW_REFUSE_HEADERS,  /* 431 */
    PW_REFUSE_CODING,   /* 501 */
    PW_REFUSE_BODIES,   /* 503: all bodies together */
    PW_REFUSE_MEMORY,   /* 503 */
    PW_REFUSE_STOPPING, /* 503 */
    PW_REFUSALS,
    PW_REFUSE_NOT = PW_REFUSALS,
} pw_refusal;

/* What an event of the loop's epoll set is about: the first member of what it points to. */
typedef enum pw_watch {
    WATCH_SHARE,
    WATCH_WAKE,
    WATCH_SOCKET,
    WATCH_CONNECTION,
    WATCH_LINGER
} pw_watch;

/* ------------------------------------------------------------------ a connection: of the loop
 * alone */

/*   IDLE -- first byte --> READING -- whole request --> WORKING -- answer --> SENDING -- sent -->
 * IDLE */
typedef enum pw_phase { PHASE_IDLE, PHASE_READING, PHASE_WORKING, PHASE_SENDING } pw_phase;

typedef struct pw_address { /* whom per_address counts: an IPv4 address, or the network (/64) of an
                               IPv6 one */
    uint64_t bytes;
    struct pw_address *next;
    uint32_t connections;
} pw_address;

typedef struct pw_connection {
    pw_watch watch;
    uint8_t phase;
    bool watched, cut;
    bool asked;  /* a request line has come, of this request or one before */
    bool unread; /* refused before its body was read */
    int fd;
    pw_listener *listener;
    struct pw_share *share;
    struct MHD_Connection *mhd; /* NULL: not taken over yet */
    pw_exchange *exchange;      /* NULL: no request line yet */
    pw_address *address;        /* NULL: not counted */
    uint64_t active_ms;         /* last seen to receive, or to send after a pause */
    uint64_t begun_ms;          /* the request that is being read */
    uint64_t ended_ms;          /* the client sends no more since; 0: it may */
    uint64_t due_ms; /* when it is looked at: at the latest when its time is over, maybe before */
    size_t at;       /* in the heap */
    char peer[PW_HTTP_PEER_SIZE];
} pw_connection;

/* ------------------------------------------------------------------ an exchange */

/*   READING -> QUEUED -> RUNNING -+-> ANSWERED
 *                ^                '-> PARKED -.
 *                '----------------------------'   until QUEUED: the loop's alone; RUNNING: the
 * worker's */
typedef enum pw_exchange_state {
    EXCHANGE_HEADERS, /* being read, as the next is */
    EXCHANGE_BODY,
    EXCHANGE_QUEUED,
    EXCHANGE_RUNNING,
    EXCHANGE_PARKED,
    EXCHANGE_ANSWERED,
} pw_exchange_state;

typedef struct pw_answer_header {
    struct pw_answer_header *next;
    const char *name, *value;
} pw_answer_header;

struct pw_exchange {
    pw_connection *connection;
    pw_listener *listener;
    uint64_t number;
    pw_method method;
    pw_str method_name, path, query;
    pw_arena arena;
    void *own;
    const char *label;
    void *span;
    uint64_t begun_us; /* its request line was there */

    char *body;
    size_t body_len, body_size;
    uint64_t dropped;   /* bytes of the body that were not kept, because it is refused */
    pw_refusal refusal; /* what it will be answered with when its body has been read */

    pw_answer_header *headers, **headers_end; /* of the answer */
    size_t headers_len;
    struct MHD_Response *answer; /* NULL: there was no memory for it */
    unsigned status;
    bool answered, parking; /* in the turn that runs */
    uint64_t park_ms;       /* until when */

    /* Under the lock. */
    pw_exchange_state state;
    bool first, woken, late, gone; /* why it has a turn */
    bool carried;                  /* counts as being carried out until it is sent */
    bool posted;                   /* in the list of the loop */
    pw_exchange *queue_next, *post_next;
    char target[];
};

/* ------------------------------------------------------------------ the listener */

typedef struct pw_share { /* of the connections: a daemon of libmicrohttpd */
    pw_watch watch;
    bool due; /* in the loop's list */
    struct MHD_Daemon *daemon;
} pw_share;

typedef struct pw_socket {
    pw_watch watch;
    int fd;
} pw_socket;

typedef struct pw_linger { /* a connection that is closed, but for what the client still sends */
    pw_watch watch;
    int fd; /* -1: free */
    uint64_t until_ms;
} pw_linger;

struct pw_listener {
    pw_listener_options options; /* no zeros; texts are not kept */
    pw_handler_fn handler;
    void *context;
    bool secure, started;
    char *addresses, *certificate, *key;
    char complaint[256]; /* the library's last, while it starts */
    pw_socket sockets[PW_HTTP_SOCKETS];
    size_t socket_count;
    pw_share shares[PW_HTTP_SHARES];
    size_t share_count;
    struct MHD_Response *refusals[PW_REFUSALS];

    /* Of the loop. */
    pthread_t loop;
    bool loop_runs, draining, paused;
    int epoll, wake, spare; /* spare: a descriptor to give up when there is no other */
    pw_watch watch_wake;
    pw_share *due[PW_HTTP_SHARES]; /* to be run before the loop waits */
    size_t due_count, next_share;
    pw_connection *arriving; /* handed to libmicrohttpd just now */
    pw_connection **heap;    /* every connection, the first due in front */
    size_t heap_count;
    pw_address **buckets;
    uint64_t now_ms, next_number, resume_accept_ms;
    pw_linger lingering[PW_HTTP_LINGERING];
    size_t linger_count;

    pthread_t *workers;
    uint32_t worker_count;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t work;  /* something is in the queue, or quit */
    pthread_cond_t less;  /* carried or busy became less, or shut; monotonic */
    pw_exchange *queue, **queue_end;
    pw_exchange *posts, **posts_end; /* for the loop: answered, or parked until a time */
    bool stopping, quit;
    bool shut;        /* the loop has seen that it is stopping: no request begins any more */
    uint64_t carried; /* whole requests whose answer is not sent yet */
    uint64_t busy;    /* of them not answered yet: queued, running, parked */
    pw_listener_counts counts;
};

uint64_t pw_http_now_ms(void);
uint64_t pw_http_now_us(void);
/* With every signal blocked that is not the thread's own. */
int pw_http_thread(pthread_t *out, const char *name, size_t stack, void *(*run)(void *),
                   void *context);

/* listener_address.c */
PAWL_CHECK pawl_code pw_http_bind(pw_listener *listener, const char *listen, pawl_error *err);
void pw_http_peer(char out[PW_HTTP_PEER_SIZE], const struct sockaddr *address);

/* listener_loop.c */
void *pw_http_loop(void *listener);
void pw_http_wake_loop(pw_listener *listener);
void pw_http_schedule(
    pw_connection *connection); /* after its phase or its exchange's state has changed */
bool pw_http_unheard(const pw_connection *connection); /* it has sent something, and we nothing */
void pw_http_cut(pw_connection *connection); /* libmicrohttpd sees the end and closes it */
void pw_http_connection_free(pw_connection *connection);
/* For a client that libmicrohttpd has not answered: "400 Bad Request", "Header: value\r\n". As far
 * as it goes at once. */
void pw_http_tell(const pw_listener *listener, int fd, const char *status, const char *header);
void pw_http_linger(pw_listener *listener, int fd); /* takes fd */
void pw_http_take_posts(pw_listener *listener);
void pw_http_run_shares(pw_listener *listener); /* those that are due */

/* listener_request.c */
PAWL_CHECK pawl_code pw_http_serve(pw_listener *listener, pawl_error *err); /* libmicrohttpd */
void pw_http_stop(pw_listener *listener);

/* exchange.c */
pw_exchange *pw_exchange_new(pw_connection *connection, const char *target); /* NULL: no memory */
void pw_exchange_free(pw_exchange *exchange);                                /* NULL is fine */
/* The body grows; false: exchange->refusal says why not. */
bool pw_exchange_more_body(pw_exchange *exchange, const char *bytes, size_t len);
void pw_exchange_begin(pw_exchange *exchange); /* the request is whole: its first turn */
void pw_exchange_late(pw_exchange *exchange, uint64_t now_ms);
void pw_exchange_lost(pw_exchange *exchange);       /* the client has gone */
void pw_exchange_stop(pw_exchange *exchange);       /* the listener stops */
uint64_t pw_exchange_parked(pw_exchange *exchange); /* until when; UINT64_MAX: it is not */
void *pw_exchange_work(void *listener);             /* a worker's thread */
#endif
