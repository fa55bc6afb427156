/* trace.h - spans, for OpenTelemetry collectors (OTLP/HTTP, JSON encoding). A span is given whole when it ends; one thread
 * sends them in batches. Nobody ever waits for the collector: what does not fit into the queue is dropped and counted.
 *
 * Ids are made of what they are about (pw_trace_span_id), so that a span has the same id after a crash, and a call's
 * traceparent names the span that will be given when it ends. Sampling is decided by the trace id alone, the same on every
 * node, unless the traceparent that came in says so. */
#ifndef PW_TRACE_H
#define PW_TRACE_H

#include "base/base.h"
#include "watch/log.h"

typedef struct pw_tracer pw_tracer;

typedef struct pw_tracer_options {
    const char *endpoint;  /* "http://127.0.0.1:4318": /v1/traces is added; NULL or "": no tracing */
    const char *headers;   /* "name=value,name=value"; NULL: none */
    const char *service;   /* service.name; NULL: "pawl" */
    double ratio;          /* of traces that begin here, 0 to 1 */
    uint64_t interval_ms;  /* sent at least so often; 0: 5000 */
    uint32_t queue;        /* spans; 0: 2048 */
} pw_tracer_options;

PAWL_CHECK pawl_code pw_tracer_new(pw_tracer **out, const pw_tracer_options *options, pawl_error *err);
void pw_tracer_free(pw_tracer *tracer); /* sends what is left, at most two seconds long. NULL is fine */

typedef struct pw_span {
    unsigned char trace[16], id[8], parent[8]; /* parent all zero: none */
    const char *kind;      /* "internal", "client", "server", "producer" */
    pw_str name;           /* "HTTP POST", "step", a workflow's or task's name: copied */
    int64_t begin_us, end_us; /* since the epoch */
    bool failed;
    pw_str message;        /* of the failure */
    const pw_log_field *fields; /* attributes: "pawl.instance", "pawl.task", "http.response.status_code" ... */
    size_t field_count;
} pw_span;
/* Any thread; copied. Tracer NULL: nothing. */
void pw_trace_span(pw_tracer *tracer, const pw_span *span);
/* Of an instance, by the traceparent that it was started with; empty: none. Tracer NULL: false. */
bool pw_trace_sampled(const pw_tracer *tracer, pw_str instance, pw_str traceparent);
bool pw_trace_chosen(const pw_tracer *tracer, const unsigned char trace[16]); /* of a trace that begins here */
/* The first eight bytes of a hash of these. Never all zero. */
void pw_trace_span_id(unsigned char out[8], pw_str instance, const char *what, uint64_t number, uint64_t attempt);

/* A W3C traceparent; false: it is none, or empty. */
#define PW_TRACEPARENT_SIZE 56
bool pw_trace_read(unsigned char trace[16], unsigned char span[8], bool *sampled, pw_str traceparent);
/* The trace of an instance: that of the traceparent it was started with, else one of its own, made of its id. */
void pw_trace_id(unsigned char out[16], pw_str instance, pw_str traceparent);

typedef struct pw_tracer_counts {
    uint64_t sent, dropped, failures;
} pw_tracer_counts;
void pw_tracer_count(const pw_tracer *tracer, pw_tracer_counts *out); /* NULL: zeros */
#endif
