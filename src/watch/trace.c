/* trace.c - the queue of spans, and the thread that sends them to a collector.
 *
 * A span is made into text by who gives it; there is a place for it, or it is dropped. The thread takes a batch and keeps it until the
 * collector has answered: what may be tried again (it is not there, it is busy) is, later and later; what it refuses is dropped. */
#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include "base/json.h"
#include "watch/trace.h"

#define NS_PER_MS UINT64_C(1000000)
enum {
    BATCH_MAX = 512,
    SPAN_MAX = 16384,    /* bytes */
    ANSWER_MAX = 65536,  /* bytes that are read of an answer */
    TIMEOUT_MS = 10000,  /* of one request */
    DELAY_FIRST_MS = 1000,
    DELAY_LAST_MS = 30000,
    STOP_MS = 1000,      /* for what is left; libcurl notices up to a second later */
    QUEUE_DEFAULT = 2048,
    INTERVAL_DEFAULT_MS = 5000,
    TEXT_MAX = 1024,     /* of a value */
};

struct pw_tracer {
    CURL *curl;
    struct curl_slist *headers;
    char *url, *service;
    double ratio;
    uint64_t interval_ms;
    uint32_t size;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool stop;
    uint64_t stop_ns;
    char **queue; /* a ring of `size` */
    uint32_t first, count;

    /* the thread's own */
    pw_buf answer;
    bool failing;

    atomic_ullong sent, dropped, failures;
};

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ------------------------------------------------------------------ sampling */

bool pw_trace_sampled(const pw_tracer *tracer, pw_str instance, pw_str traceparent)
{
    unsigned char trace[16], span[8];
    bool sampled;
    if (!tracer)
        return false;
    if (pw_trace_read(trace, span, &sampled, traceparent))
        return sampled; /* who began it has decided */
    pw_trace_id(trace, instance, traceparent);
    return pw_trace_chosen(tracer, trace);
}

bool pw_trace_chosen(const pw_tracer *tracer, const unsigned char trace[16])
{
    uint64_t chance = 0; /* the last 56 bits, which W3C wants to be the random ones */
    for (size_t i = 9; i < 16; i++)
        chance = chance << 8 | trace[i];
    return tracer && (double)chance < tracer->ratio * (double)(UINT64_C(1) << 56);
}

/* ------------------------------------------------------------------ a span as text */

static void put_hex(pw_buf *buf, const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pw_buf_printf(buf, "%02x", bytes[i]);
}

static void put_text(pw_buf *buf, pw_str s)
{
    const pw_str shorter = { s.ptr, s.len > TEXT_MAX ? TEXT_MAX : s.len };
    pw_json_write_string(buf, (pw_str){ shorter.ptr, pw_utf8_valid_length(shorter) });
}

static void put_attribute(pw_buf *buf, const pw_log_field *field)
{
    char real[PW_REAL_SIZE];
    pw_buf_text(buf, "{\"key\":");
    put_text(buf, pw_str_of(field->name));
    pw_buf_text(buf, ",\"value\":");
    switch (field->type) {
    case PW_LOG_TEXT:
        pw_buf_text(buf, "{\"stringValue\":");
        put_text(buf, field->text);
        break;
    case PW_LOG_NUMBER: /* 64 bits are text in protobuf's JSON */
        pw_buf_printf(buf, "{\"intValue\":\"%lld\"", (long long)field->number);
        break;
    case PW_LOG_REAL:
        pw_buf_text(buf, "{\"doubleValue\":");
        pw_buf_add(buf, real, pw_json_real(real, field->real));
        break;
    case PW_LOG_BOOL:
        pw_buf_printf(buf, "{\"boolValue\":%s", field->number ? "true" : "false");
        break;
    }
    pw_buf_text(buf, "}}");
}

static int kind_number(const char *kind)
{
    static const char *const kinds[] = { "internal", "server", "client", "producer", "consumer" };
    for (size_t i = 0; i < PW_LENGTH(kinds); i++)
        if (strcmp(kind, kinds[i]) == 0)
            return (int)i + 1;
    return 1;
}

static char *write_span(const pw_span *span)
{
    static const unsigned char none[8] = { 0 };
    pw_buf buf;
    pw_buf_init(&buf, SPAN_MAX);
    pw_buf_text(&buf, "{\"traceId\":\"");
    put_hex(&buf, span->trace, sizeof span->trace);
    pw_buf_text(&buf, "\",\"spanId\":\"");
    put_hex(&buf, span->id, sizeof span->id);
    if (memcmp(span->parent, none, sizeof none) != 0) {
        pw_buf_text(&buf, "\",\"parentSpanId\":\"");
        put_hex(&buf, span->parent, sizeof span->parent);
    }
    pw_buf_text(&buf, "\",\"name\":");
    put_text(&buf, span->name);
    const int64_t end_us = span->end_us < span->begin_us ? span->begin_us : span->end_us;
    pw_buf_printf(&buf, ",\"kind\":%d,\"startTimeUnixNano\":\"%lld000\",\"endTimeUnixNano\":\"%lld000\",\"attributes\":[",
                  kind_number(span->kind), (long long)span->begin_us, (long long)end_us);
    for (size_t i = 0; i < span->field_count; i++) {
        if (i > 0)
            pw_buf_char(&buf, ',');
        put_attribute(&buf, &span->fields[i]);
    }
    pw_buf_text(&buf, "],\"status\":{");
    if (span->failed) {
        pw_buf_text(&buf, "\"code\":2");
        if (span->message.len) {
            pw_buf_text(&buf, ",\"message\":");
            put_text(&buf, span->message);
        }
    }
    pw_buf_text(&buf, "}}");
    char *text = pw_buf_take(&buf);
    pw_buf_done(&buf);
    return text;
}

void pw_trace_span(pw_tracer *tracer, const pw_span *span)
{
    if (!tracer)
        return;
    char *text = write_span(span);
    (void)pthread_mutex_lock(&tracer->lock);
    const bool place = text && tracer->count < tracer->size && !tracer->stop;
    if (place) {
        tracer->queue[(tracer->first + tracer->count++) % tracer->size] = text;
        if (tracer->count == BATCH_MAX || tracer->count == tracer->size)
            (void)pthread_cond_signal(&tracer->changed);
    }
    (void)pthread_mutex_unlock(&tracer->lock);
    if (!place) {
        (void)atomic_fetch_add_explicit(&tracer->dropped, 1, memory_order_relaxed);
        pw_free(text);
    }
}

void pw_tracer_count(const pw_tracer *tracer, pw_tracer_counts *out)
{
    *out = (pw_tracer_counts){ 0 };
    if (!tracer)
        return;
    out->sent = atomic_load_explicit(&tracer->sent, memory_order_relaxed);
    out->dropped = atomic_load_explicit(&tracer->dropped, memory_order_relaxed);
    out->failures = atomic_load_explicit(&tracer->failures, memory_order_relaxed);
}

/* ------------------------------------------------------------------ one request */

static size_t on_answer(char *bytes, size_t one, size_t count, void *context)
{
    pw_tracer *t = context;
    if (t->answer.len + count < ANSWER_MAX)
        pw_buf_add(&t->answer, bytes, count);
    return one * count;
}

/* Nonzero ends the request: the time to stop is over. */
static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    pw_tracer *t = context;
    (void)a, (void)b, (void)c, (void)d;
    (void)pthread_mutex_lock(&t->lock);
    const bool over = t->stop && monotonic_ns() >= t->stop_ns;
    (void)pthread_mutex_unlock(&t->lock);
    return over;
}

typedef enum outcome { TAKEN, AGAIN, REFUSED } outcome;

/* {"partialSuccess":{"rejectedSpans":"2"}}: so many were not taken, and are not to be sent again. */
static uint64_t rejected(pw_tracer *t)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value v = pw_null();
    uint64_t count = 0;
    if (pw_json_parse(&v, pw_buf_view(&t->answer), NULL, &arena, NULL) == PAWL_OK) {
        const pw_value number = pw_get(pw_get(v, PW_LIT("partialSuccess")), PW_LIT("rejectedSpans"));
        const pw_str text = pw_is(number, PW_STRING) ? pw_text(number) : pw_json_text(&arena, number, PW_JSON_COMPACT);
        for (size_t i = 0; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
            count = count * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    pw_arena_done(&arena);
    return count;
}

static outcome post(pw_tracer *t, const pw_buf *body, char *why, size_t why_size)
{
    long status = 0;
    pw_buf_reset(&t->answer);
    (void)curl_easy_setopt(t->curl, CURLOPT_POSTFIELDS, body->ptr);
    (void)curl_easy_setopt(t->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
    const CURLcode failed = curl_easy_perform(t->curl);
    if (failed != CURLE_OK) {
        (void)snprintf(why, why_size, "%s", curl_easy_strerror(failed));
        return AGAIN;
    }
    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300)
        return TAKEN;
    (void)snprintf(why, why_size, "it answered %ld", status);
    return status == 429 || status == 502 || status == 503 || status == 504 ? AGAIN : REFUSED;
}

/* ------------------------------------------------------------------ the thread */

typedef struct batch {
    char *spans[BATCH_MAX];
    size_t count;
} batch;

static void drop_batch(pw_tracer *t, batch *b, bool count)
{
    if (count)
        (void)atomic_fetch_add_explicit(&t->dropped, b->count, memory_order_relaxed);
    for (size_t i = 0; i < b->count; i++)
        pw_free(b->spans[i]);
    b->count = 0;
}

static void write_batch(pw_buf *out, const pw_tracer *t, const batch *b)
{
    pw_buf_text(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    put_attribute(out, &PW_LOG_S("service.name", pw_str_of(t->service)));
    pw_buf_char(out, ',');
    put_attribute(out, &PW_LOG_S("service.version", pw_str_of(pawl_version())));
    pw_buf_text(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"pawl\",\"version\":");
    put_text(out, pw_str_of(pawl_version()));
    pw_buf_text(out, "},\"spans\":[");
    for (size_t i = 0; i < b->count; i++) {
        if (i > 0)
            pw_buf_char(out, ',');
        pw_buf_text(out, b->spans[i]);
    }
    pw_buf_text(out, "]}]}]}");
}

static void tell(pw_tracer *t, bool failing, const char *why)
{
    if (failing)
        (void)atomic_fetch_add_explicit(&t->failures, 1, memory_order_relaxed);
    if (t->failing == failing)
        return;
    t->failing = failing;
    if (failing)
        PW_LOG(PW_LOG_WARNING, "tracing", "tracing.failing", "the collector at %s takes no spans: %s", t->url, why);
    else
        PW_LOG(PW_LOG_INFO, "tracing", "tracing.works", "the collector at %s takes spans again", t->url);
}

/* False: it is to be tried again. */
static bool send_batch(pw_tracer *t, batch *b)
{
    char why[128] = "out of memory";
    pw_buf body;
    pw_buf_init(&body, 0);
    write_batch(&body, t, b);
    const outcome came = body.failed ? AGAIN : post(t, &body, why, sizeof why);
    pw_buf_done(&body);
    tell(t, came != TAKEN, why);
    if (came == AGAIN)
        return false;
    if (came == TAKEN) {
        uint64_t lost = rejected(t);
        lost = lost < b->count ? lost : b->count;
        (void)atomic_fetch_add_explicit(&t->dropped, lost, memory_order_relaxed);
        (void)atomic_fetch_add_explicit(&t->sent, b->count - lost, memory_order_relaxed);
    }
    drop_batch(t, b, came == REFUSED);
    return true;
}

/* Waits for a whole batch, the end of the interval, or (`delay_ms`) the time of the next try. False: it is to stop, and nothing is left. */
static bool take_batch(pw_tracer *t, batch *b, uint64_t delay_ms)
{
    const uint64_t until_ns = monotonic_ns() + (delay_ms ? delay_ms : t->interval_ms) * NS_PER_MS;
    const struct timespec until = { .tv_sec = (time_t)(until_ns / 1000000000u), .tv_nsec = (long)(until_ns % 1000000000u) };
    (void)pthread_mutex_lock(&t->lock);
    while (!t->stop && (delay_ms || (t->count < BATCH_MAX && t->count < t->size)) && monotonic_ns() < until_ns)
        (void)pthread_cond_timedwait(&t->changed, &t->lock, &until);
    while (b->count < BATCH_MAX && t->count > 0) {
        b->spans[b->count++] = t->queue[t->first];
        t->first = (t->first + 1) % t->size;
        t->count--;
    }
    const bool over = t->stop && (b->count == 0 || monotonic_ns() >= t->stop_ns);
    (void)pthread_mutex_unlock(&t->lock);
    return !over;
}

static bool stopping(pw_tracer *t)
{
    (void)pthread_mutex_lock(&t->lock);
    const bool stop = t->stop;
    (void)pthread_mutex_unlock(&t->lock);
    return stop;
}

static void *run(void *context)
{
    pw_tracer *t = context;
    batch b = { .count = 0 };
    uint64_t delay_ms = 0;
    while (take_batch(t, &b, delay_ms)) {
        const bool last = stopping(t); /* then there is no later try */
        if (b.count == 0)
            continue;
        if (send_batch(t, &b))
            delay_ms = 0;
        else if (last)
            break;
        else
            delay_ms = delay_ms == 0 ? DELAY_FIRST_MS : delay_ms < DELAY_LAST_MS / 2 ? 2 * delay_ms : DELAY_LAST_MS;
    }
    drop_batch(t, &b, true);
    return NULL;
}

/* ------------------------------------------------------------------ start and stop */

static char *make_url(const char *endpoint)
{
    pw_buf buf;
    size_t len = strlen(endpoint);
    while (len > 0 && endpoint[len - 1] == '/')
        len--;
    pw_buf_init(&buf, 0);
    pw_buf_add(&buf, endpoint, len);
    if (len < 10 || memcmp(endpoint + len - 10, "/v1/traces", 10) != 0)
        pw_buf_text(&buf, "/v1/traces");
    char *url = pw_buf_take(&buf);
    pw_buf_done(&buf);
    return url;
}

static pawl_code add_header(pw_tracer *t, const char *line, pawl_error *err)
{
    struct curl_slist *list = curl_slist_append(t->headers, line);
    if (!list)
        return pw_no_memory(err);
    t->headers = list;
    return PAWL_OK;
}

/* "name=value,name=value" as lines of a request. */
static pawl_code read_headers(pw_tracer *t, const char *text, pawl_error *err)
{
    pawl_code code = add_header(t, "Content-Type: application/json", err);
    if (code == PAWL_OK)
        code = add_header(t, "Expect:", err); /* none */
    for (const char *at = text ? text : ""; code == PAWL_OK && *at;) {
        const size_t len = strcspn(at, ",");
        const char *sign = memchr(at, '=', len);
        char line[1024];
        if (!sign || sign == at || len >= sizeof line - 2)
            return pw_fail(err, PAWL_INVALID, "headers of traces are name=value, with commas between them");
        for (size_t i = 0; i < len; i++)
            if ((unsigned char)at[i] < ' ' || at[i] == 0x7F)
                return pw_fail(err, PAWL_INVALID, "a header of traces has a character that no header has");
        (void)snprintf(line, sizeof line, "%.*s: %.*s", (int)(sign - at), at, (int)(len - (size_t)(sign + 1 - at)), sign + 1);
        code = add_header(t, line, err);
        at += len + (at[len] == ',');
    }
    return code;
}

static pawl_code make_curl(pw_tracer *t, pawl_error *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(t->curl = curl_easy_init()))
        return pw_no_memory(err);
    (void)curl_easy_setopt(t->curl, CURLOPT_URL, t->url);
    (void)curl_easy_setopt(t->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, t->headers);
    (void)curl_easy_setopt(t->curl, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(t->curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(t->curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    (void)curl_easy_setopt(t->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)TIMEOUT_MS);
    (void)curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_answer);
    (void)curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
    (void)curl_easy_setopt(t->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(t->curl, CURLOPT_XFERINFODATA, t);
    (void)curl_easy_setopt(t->curl, CURLOPT_NOPROGRESS, 0L);
    return PAWL_OK;
}

static void free_parts(pw_tracer *t)
{
    for (; t->queue && t->count > 0; t->count--) {
        pw_free(t->queue[t->first]);
        t->first = (t->first + 1) % t->size;
    }
    if (t->curl)
        curl_easy_cleanup(t->curl);
    curl_slist_free_all(t->headers);
    pw_buf_done(&t->answer);
    pw_free(t->queue);
    pw_free(t->url);
    pw_free(t->service);
    pw_free(t);
}

static pawl_code start(pw_tracer *t, pawl_error *err)
{
    pthread_condattr_t attributes;
    int failed = pthread_mutex_init(&t->lock, NULL);
    if (failed)
        return pw_no_memory(err);
    failed = pthread_condattr_init(&attributes);
    if (!failed) {
        (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        failed = pthread_cond_init(&t->changed, &attributes);
        (void)pthread_condattr_destroy(&attributes);
    }
    if (failed) {
        (void)pthread_mutex_destroy(&t->lock);
        return pw_no_memory(err);
    }
    sigset_t all, before; /* signals are the host program's */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&t->thread, NULL, run, t);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        (void)pthread_cond_destroy(&t->changed);
        (void)pthread_mutex_destroy(&t->lock);
        return pw_fail_native(err, PAWL_NO_MEMORY, failed, "cannot start the thread of traces");
    }
    (void)pthread_setname_np(t->thread, "pawl-trace");
    return PAWL_OK;
}

pawl_code pw_tracer_new(pw_tracer **out, const pw_tracer_options *options, pawl_error *err)
{
    *out = NULL;
    if (!options->endpoint || !options->endpoint[0])
        return PAWL_OK;
    if (strncmp(options->endpoint, "http://", 7) != 0 && strncmp(options->endpoint, "https://", 8) != 0)
        return pw_fail(err, PAWL_INVALID, "the collector of traces is an address like http://127.0.0.1:4318");
    pw_tracer *t = pw_zalloc(sizeof *t);
    if (!t)
        return pw_no_memory(err);
    t->ratio = options->ratio;
    t->interval_ms = options->interval_ms ? options->interval_ms : INTERVAL_DEFAULT_MS;
    t->size = options->queue ? options->queue : QUEUE_DEFAULT;
    pw_buf_init(&t->answer, ANSWER_MAX);
    t->url = make_url(options->endpoint);
    t->service = pw_strdup(pw_str_of(options->service ? options->service : "pawl"));
    t->queue = pw_zalloc(t->size * sizeof *t->queue);
    pawl_code code = t->url && t->service && t->queue ? PAWL_OK : pw_no_memory(err);
    if (code == PAWL_OK)
        code = read_headers(t, options->headers, err);
    if (code == PAWL_OK)
        code = make_curl(t, err);
    if (code == PAWL_OK)
        code = start(t, err);
    if (code != PAWL_OK) {
        free_parts(t);
        return code;
    }
    *out = t;
    return PAWL_OK;
}

void pw_tracer_free(pw_tracer *t)
{
    if (!t)
        return;
    (void)pthread_mutex_lock(&t->lock);
    t->stop = true;
    t->stop_ns = monotonic_ns() + STOP_MS * NS_PER_MS;
    (void)pthread_cond_signal(&t->changed);
    (void)pthread_mutex_unlock(&t->lock);
    (void)pthread_join(t->thread, NULL);
    (void)pthread_cond_destroy(&t->changed);
    (void)pthread_mutex_destroy(&t->lock);
    free_parts(t);
}
