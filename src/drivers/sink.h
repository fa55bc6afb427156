/* sink.h - where events are published: a kind of sink is one of these tables, and one file.
 *
 * A sink is used by one thread at a time, its dispatcher's, which may block in it. It knows nothing of the store, of
 * attempts or of dead letters: it takes a batch and says of each event what became of it. */
#ifndef PW_SINK_H
#define PW_SINK_H

#include "base/arena.h"

typedef struct pw_sink pw_sink;

typedef struct pw_sink_event {
    pw_str id;            /* of its row: unique, and the same at each attempt */
    pw_str type, source;  /* of the CloudEvent */
    pw_str instance;
    uint64_t sequence, ordinal;
    pw_str payload;       /* the CloudEvent: JSON, structured mode */
    bool requeued;        /* the payload says so already */
    pw_str trace;         /* W3C traceparent; empty: none */
    /* out */
    enum {
        PW_SINK_HELD = 0, /* not tried: something before it of its instance failed, or there was no time */
        PW_SINK_TAKEN,    /* it is there, durably, as far as the sink can tell */
        PW_SINK_FAILED,   /* may be tried again */
        PW_SINK_REFUSED,  /* it will never be taken: a dead letter at once */
    } end;
    uint64_t retry_after_ms; /* FAILED: as the sink asks for; 0: nothing said */
    bool whole;           /* FAILED: the sink as a whole takes nothing now (nobody is there): one event of a batch at most, the others are HELD */
    pw_str error;         /* FAILED, REFUSED; in the arena of the batch */
} pw_sink_event;

typedef struct pw_sink_kind {
    const char *name;     /* "http" */
    /* Reads and checks the options, which live as long as the sink; connects to nothing. PAWL_INVALID; PAWL_NOT_FOUND: a library that
     * it needs is not installed: the message names the package. */
    pawl_code (*open)(pw_sink **out, const pawl_sink_options *options, pawl_error *err);
    /* Events of one instance are in order, and are to arrive in that order: one is not sent before the one before it is TAKEN. Different
     * instances may be side by side. Comes back when all have an end, or `stop` says so (asked at least every 100 ms): what is under way
     * is given up then as FAILED, and what was not begun as HELD. */
    void (*publish)(pw_sink *sink, pw_sink_event *events, size_t count, bool (*stop)(void *context), void *context, pw_arena *arena);
    void (*close)(pw_sink *sink);
    const char *(*target)(const pw_sink *sink); /* for people: without secrets */
} pw_sink_kind;

struct pw_sink { /* first member of each kind's own struct */
    const pw_sink_kind *kind;
};

extern const pw_sink_kind pw_sink_http; /* sink_http.c */
extern const pw_sink_kind pw_sink_file; /* sink_file.c */
extern const pw_sink_kind pw_sink_nats; /* sink_nats.c */
PAWL_CHECK pawl_code pw_sink_open(pw_sink **out, const pawl_sink_options *options, pawl_error *err);
#endif
