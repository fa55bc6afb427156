/* outbox.c - see outbox.h.
 *
 * A round is a page: what the sink says of each event of it is written in one transaction, and the
 * next page is read at once if that has changed anything. A crash in between publishes the page
 * again, with the same ids.
 *
 * What a sink gives up because it was told to stop has failed by our fault: it is not written, and
 * is pending as before. */
#include <stdio.h>
#include "engine/disk.h"
#include "engine/leases.h"
#include "engine/outbox.h"
#include "drivers/sink.h"
#include "policy/retry.h"
#include "watch/log.h"

enum {
    HELD_MS = 1000,   /* until a page that the sink did not touch is tried again */
    COUNT_MS = 1000,  /* the backlog is counted at most so often */
    ERROR_MAX = 1000, /* bytes of an error that are stored ... */
    ERROR_SIZE = 240, /* ... and remembered of the sink's last */
};

typedef struct lane { /* of one sink */
    pw_outbox *outbox;
    pawl_sink_options options;
    pw_sink_wants wants;
    pw_arena texts; /* of both */
    pw_sink *sink;  /* NULL: it is off */
    pw_service service;
    pw_background *thread;

    /* the thread's own */
    pw_arena arena; /* of a round */
    uint64_t seed;
    uint32_t unreached;  /* rounds in a row in which the sink as a whole took nothing */
    int64_t hold_ms;     /* then: nothing is tried before that instant ... */
    uint64_t delay_ms;   /* ... which was so far away */
    uint64_t counted_ns; /* when the backlog was */

    /* under the outbox's lock */
    bool tried, failing;
    uint64_t published, failed, dead;
    char error[ERROR_SIZE];
    int64_t failed_ms, published_ms;
} lane;

struct pw_outbox {
    pw_outbox_options options;
    pthread_mutex_t lock;
    size_t count;
    lane lanes[];
};

static int64_t now_of(const pw_outbox *o)
{
    return o->options.now_ms(o->options.context);
}

/* ------------------------------------------------------------------ what becomes of an event */

static uint64_t delay_after(lane *l, uint32_t failures, uint64_t after_ms)
{
    const pw_outbox_options *o = &l->outbox->options;
    const pw_retry_settings settings = { .backoff = PW_BACKOFF_EXPONENTIAL,
                                         .delay_ms = o->base_delay_ms,
                                         .delay_ms_max = o->max_delay_ms,
                                         .count = PW_RETRY_UNLIMITED,
                                         .full_jitter = true };
    const pw_retry_history history = { .retries = failures - 1,
                                       .seed = pw_seed_next(&l->seed),
                                       .after_ms = after_ms };
    uint64_t delay = 0;
    bool again = pw_retry_next(&delay, &settings, &history);
    PW_ASSERT(again);
    return delay;
}

static bool is_last(const lane *l, uint32_t attempts)
{
    return l->outbox->options.retries != UINT32_MAX && attempts >= l->outbox->options.retries;
}

static pw_publish_end end_of(const pw_publish_row *row, uint64_t epoch)
{
    return (pw_publish_end){ .instance = row->event.instance,
                             .sequence = row->event.sequence,
                             .ordinal = row->ordinal,
                             .sink = row->sink,
                             .state = PW_PUBLISH_DONE,
                             .attempts = row->attempts,
                             .epoch = epoch };
}

/* The sink as a whole waits, as long as the event that was charged for it; the longer, the more
 * often in a row. */
static void hold(lane *l, int64_t now, uint64_t after_ms)
{
    l->unreached++;
    l->delay_ms = delay_after(l, l->unreached, after_ms);
    l->hold_ms = now + (int64_t)l->delay_ms;
}

/* Of what a sink says, which may have an answer's bytes in it: what is text, at most so long. */
static pw_str shown(pw_str error, size_t most)
{
    pw_str s = { error.ptr, error.len < most ? error.len : most };
    const char *nul = s.len > 0 ? memchr(s.ptr, '\0', s.len) : NULL;
    s.len = nul ? (size_t)(nul - s.ptr) : s.len;
    s.len = pw_utf8_valid_length(s);
    return s.len > 0 ? s : PW_LIT("the sink did not say why");
}

static void end_failed(lane *l, pw_publish_end *end, const pw_sink_event *e, int64_t now)
{
    bool refused = e->end == PW_SINK_REFUSED;
    end->attempts++;
    end->error = shown(e->error, ERROR_MAX);
    end->state = refused || is_last(l, end->attempts) ? PW_PUBLISH_DEAD : PW_PUBLISH_PENDING;
    if (e->whole && !refused)
        hold(l, now, e->retry_after_ms);
    if (end->state == PW_PUBLISH_PENDING)
        end->next_ms = now + (int64_t)(e->whole ? l->delay_ms
                                                : delay_after(l, end->attempts, e->retry_after_ms));
}

/* ------------------------------------------------------------------ a page */

typedef struct page {
    lane *lane;
    pw_publish_row *rows;
    pw_sink_event *events;
    pw_publish_end *ends;
    size_t count, end_count;
    size_t *of; /* the event of each end */
} page;

/* What was read while the lease was ours; the others are left to whoever has it. */
static size_t keep_ours(const lane *l, pw_publish_row *rows, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t partition = pw_store_partition(rows[i].event.instance);
        const pw_leases *leases = l->outbox->options.leases;
        if (pw_leases_sure(leases, partition, pw_leases_epoch(leases, partition)))
            rows[kept++] = rows[i];
    }
    return kept;
}

static pawl_code load(page *at, int64_t now, pawl_error *err)
{
    lane *l = at->lane;
    const pw_outbox_options *o = &l->outbox->options;
    pawl_code code = pw_store_publish_due(o->store, l->wants.name, pw_leases_held(o->leases), now,
                                          o->batch, &at->rows, &at->count, &l->arena, err);
    if (code != PAWL_OK)
        return code;
    at->count = keep_ours(l, at->rows, at->count);
    at->events = PW_NEW_ARRAY(&l->arena, pw_sink_event, at->count + 1);
    at->ends = PW_NEW_ARRAY(&l->arena, pw_publish_end, at->count + 1);
    at->of = PW_NEW_ARRAY(&l->arena, size_t, at->count + 1);
    return l->arena.failed ? pw_no_memory(err) : PAWL_OK;
}

/* What is damaged is refused, and not shown to the sink; so is nothing behind it of its instance in
 * this round. */
static pawl_code prepare(page *at, size_t *good, pawl_error *err)
{
    pw_arena *arena = &at->lane->arena;
    pawl_error error;
    *good = 0;
    for (; *good < at->count; ++*good) {
        const pw_publish_row *row = &at->rows[*good];
        pw_sink_event *e = &at->events[*good];
        *e = (pw_sink_event){ .id = row->event.event.id,
                              .type = row->event.event.type,
                              .source = row->event.event.source,
                              .instance = row->event.instance,
                              .sequence = row->event.sequence,
                              .ordinal = row->ordinal,
                              .requeued = row->requeued };
        pawl_code code = pw_outbox_payload(&e->payload, &e->trace, at->lane->outbox->options.engine,
                                           row, arena, &error);
        if (code == PAWL_OK)
            continue;
        if (code != PAWL_CORRUPT) {
            *err = error;
            return code;
        }
        e->end = PW_SINK_REFUSED;
        e->error = pw_arena_str(arena, pw_str_of(error.message));
        at->count = *good + 1; /* the rest in the next round */
        break;
    }
    return PAWL_OK;
}

static bool stopping(void *context)
{
    return pw_background_stopping(((lane *)context)->thread);
}

/* What the sink has said becomes what is written. */
static void judge(page *at, bool stopped)
{
    lane *l = at->lane;
    const pw_leases *leases = l->outbox->options.leases;
    int64_t now = now_of(l->outbox);
    const pw_sink_event *failed = NULL; /* the last one: it holds back those behind it */
    for (size_t i = 0; i < at->count; i++) {
        const pw_sink_event *e = &at->events[i];
        bool behind = failed && pw_str_eq(failed->instance, e->instance);
        if (e->end == PW_SINK_HELD || (e->end == PW_SINK_FAILED && (behind || stopped)))
            continue;
        pw_publish_end end =
            end_of(&at->rows[i], pw_leases_epoch(leases, pw_store_partition(e->instance)));
        if (e->end == PW_SINK_TAKEN)
            l->unreached = 0;
        else
            end_failed(l, &end, e, now);
        if (e->end == PW_SINK_FAILED)
            failed = e;
        at->of[at->end_count] = i;
        at->ends[at->end_count++] = end;
    }
}

/* ------------------------------------------------------------------ what is said of it */

static void say_letter(const lane *l, const pw_publish_row *row, const pw_publish_end *end)
{
    if (!pw_log_wants(PW_LOG_ERROR, "outbox"))
        return;
    const pw_log_field fields[] = { PW_LOG_S("sink", l->wants.name),
                                    PW_LOG_S("type", row->event.event.type),
                                    PW_LOG_S("eventId", row->event.event.id),
                                    PW_LOG_N("attempts", end->attempts) };
    const pw_log_line line = { .level = PW_LOG_ERROR,
                               .component = "outbox",
                               .event = "event.dead",
                               .instance = row->event.instance,
                               .fields = fields,
                               .field_count = PW_LENGTH(fields) };
    pw_log(&line, "event '" PW_FMT "' is a dead letter at sink '" PW_FMT "': " PW_FMT,
           PW_ARG(row->event.event.id), PW_ARG(l->wants.name), PW_ARG(end->error));
}

static void count_one(lane *l, const pw_publish_end *end, int64_t now)
{
    if (end->state == PW_PUBLISH_DONE) {
        l->published++;
        l->published_ms = now;
        return;
    }
    l->failed++;
    l->dead += end->state == PW_PUBLISH_DEAD;
    l->failed_ms = now;
    (void)snprintf(l->error, sizeof l->error, PW_FMT,
                   PW_ARG(shown(end->error, sizeof l->error - 1)));
}

/* It fails if it has taken nothing of a page. */
static void tell(page *at, pw_round *out)
{
    lane *l = at->lane;
    int64_t now = now_of(l->outbox);
    (void)pthread_mutex_lock(&l->outbox->lock);
    uint64_t published = l->published;
    bool failing = l->failing;
    for (size_t i = 0; i < at->end_count; i++) {
        out->items++;
        out->failed += at->ends[i].state != PW_PUBLISH_DONE;
        count_one(l, &at->ends[i], now);
    }
    l->tried = l->tried || at->end_count > 0;
    if (at->end_count > 0)
        l->failing = l->published == published;
    bool changed = failing != l->failing;
    failing = l->failing;
    (void)pthread_mutex_unlock(&l->outbox->lock);
    for (size_t i = 0; i < at->end_count; i++)
        if (at->ends[i].state == PW_PUBLISH_DEAD && at->ends[i].written)
            say_letter(l, &at->rows[at->of[i]], &at->ends[i]);
    if (changed && failing) /* only the thread itself writes l->error */
        PW_LOG(PW_LOG_WARNING, "outbox", "sink.failing", "sink '" PW_FMT "' (%s) fails: %s",
               PW_ARG(l->wants.name), l->sink->kind->target(l->sink), l->error);
    else if (changed)
        PW_LOG(PW_LOG_INFO, "outbox", "sink.up", "sink '" PW_FMT "' takes events again",
               PW_ARG(l->wants.name));
}

/* ------------------------------------------------------------------ rounds */

/* How much waits: a scan of all of it, so not after every page; what is left out is made up for a
 * second later. */
static void count_backlog(lane *l, pw_round *out)
{
    pw_publish_counts *counts = NULL;
    size_t count = 0;
    pawl_error err;
    uint64_t now = pw_monotonic_ns();
    if (l->counted_ns > 0 && now - l->counted_ns < COUNT_MS * UINT64_C(1000000)) {
        out->next_ms = out->next_ms < COUNT_MS ? out->next_ms : COUNT_MS;
        return;
    }
    l->counted_ns = now;
    if (pw_store_publish_count(l->outbox->options.store, &counts, &count, &l->arena, &err) !=
        PAWL_OK)
        return; /* the next page says why */
    size_t i = 0;
    while (i < count && !pw_str_eq(counts[i].sink, l->wants.name))
        i++;
    pw_service_backlog(&l->service, i < count ? counts[i].pending : 0,
                       i < count ? counts[i].oldest_ms : -1);
}

/* Milliseconds until it may be tried again; 0: now. A clock that was put back does not make it
 * longer. */
static uint64_t held_for(lane *l, int64_t now)
{
    enum { FULL_DISK_MS = 1000 }; /* what became of an event could not be written */
    if (l->outbox->options.engine && pw_disk_is_full(l->outbox->options.engine))
        return FULL_DISK_MS;
    if (l->unreached == 0 || now >= l->hold_ms)
        return 0;
    if (l->hold_ms - now > (int64_t)l->delay_ms)
        l->hold_ms = now + (int64_t)l->delay_ms;
    return (uint64_t)(l->hold_ms - now);
}

/* Nothing is due: when something will be. */
static pawl_code look_ahead(lane *l, int64_t now, pw_round *out, pawl_error *err)
{
    const pw_outbox_options *o = &l->outbox->options;
    int64_t next = PW_WAKE_NEVER;
    pawl_code code =
        pw_store_publish_next(o->store, l->wants.name, pw_leases_held(o->leases), now, &next, err);
    if (code == PAWL_OK && next != PW_WAKE_NEVER && (uint64_t)(next - now) < out->next_ms)
        out->next_ms = (uint64_t)(next - now);
    return code;
}

static pawl_code publish(page *at, pw_round *out, pawl_error *err)
{
    lane *l = at->lane;
    size_t good = 0;
    pawl_code code = prepare(at, &good, err);
    if (code != PAWL_OK)
        return code;
    if (good > 0)
        l->sink->kind->publish(l->sink, at->events, good, stopping, l, &l->arena);
    judge(at, stopping(l));
    PW_FAULT("outbox-after-publish");
    code = pw_store_publish_end(l->outbox->options.store, at->ends, at->end_count,
                                now_of(l->outbox), err);
    if (code != PAWL_OK)
        return code;
    PW_FAULT("outbox-after-end");
    tell(at, out);
    if (at->end_count > 0)
        out->next_ms = 0;
    else if (out->next_ms > HELD_MS)
        out->next_ms = HELD_MS;
    return PAWL_OK;
}

static pawl_code run_round(void *context, pw_round *out, pawl_error *err)
{
    lane *l = context;
    page at = { .lane = l };
    int64_t now = now_of(l->outbox);
    pw_arena_reset(&l->arena);
    uint64_t held = held_for(l, now);
    if (held > 0) {
        out->next_ms = held < out->next_ms ? held : out->next_ms;
        return PAWL_OK;
    }
    pawl_code code = load(&at, now, err);
    if (code == PAWL_OK)
        code = at.count > 0 ? publish(&at, out, err) : look_ahead(l, now, out, err);
    if (code == PAWL_IO)
        l->outbox->options.on_failure(l->outbox->options.context, err);
    if (code == PAWL_OK)
        count_backlog(l, out);
    return code;
}

static int64_t now_of_lane(void *context)
{
    return now_of(((lane *)context)->outbox);
}

/* Health and metrics know one service. */
static void round_ended(void *context)
{
    pw_outbox *o = ((lane *)context)->outbox;
    pw_service *parts[PW_SINKS_MAX];
    for (size_t i = 0; i < o->count; i++)
        parts[i] = &o->lanes[i].service;
    pw_service_sum(o->options.service, parts, o->count);
}

/* ------------------------------------------------------------------ the sinks */

static const char *copy_text(lane *l, const char *text)
{
    return text ? pw_arena_printf(&l->texts, "%s", text).ptr : NULL;
}

static void copy_options(lane *l, const pawl_sink_options *given)
{
    pawl_sink_options *o = &l->options;
    size_t known = given->struct_size < sizeof *o ? given->struct_size : sizeof *o;
    memset(o, 0, sizeof *o);
    memcpy(o, given, known);
    o->struct_size = sizeof *o;
    const char **const texts[] = { &o->name, &o->type,     &o->url,    &o->types,   &o->sources,
                                   &o->path, &o->mode,     &o->secret, &o->headers, &o->subject,
                                   &o->user, &o->password, &o->token,  &o->ca };
    for (size_t i = 0; i < PW_LENGTH(texts); i++)
        *texts[i] = copy_text(l, *texts[i]);
}

static pw_str trimmed(pw_str s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = (pw_str){ s.ptr + 1, s.len - 1 };
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* "order.*, mail.*"; nothing but blanks: all. */
static const pw_str *read_patterns(lane *l, const char *text, size_t *count)
{
    pw_str rest = pw_str_of(text);
    size_t most = 1;
    *count = 0;
    for (size_t i = 0; i < rest.len; i++)
        most += rest.ptr[i] == ',';
    pw_str *patterns = PW_NEW_ARRAY(&l->texts, pw_str, most);
    while (patterns && rest.len > 0) {
        const char *comma = memchr(rest.ptr, ',', rest.len);
        size_t len = comma ? (size_t)(comma - rest.ptr) : rest.len;
        pw_str pattern = trimmed((pw_str){ rest.ptr, len });
        if (pattern.len > 0)
            patterns[(*count)++] = pattern;
        len += comma ? 1 : 0;
        rest = (pw_str){ rest.ptr + len, rest.len - len };
    }
    return patterns;
}

static pawl_code make_lane(pw_outbox *o, const pawl_sink_options *given, pawl_error *err)
{
    lane *l = &o->lanes[o->count];
    if (given->struct_size == 0)
        return pw_fail(err, PAWL_INVALID,
                       "options: sinks: struct_size is 0; set it to sizeof(pawl_sink_options)");
    pawl_code code =
        pw_service_init(&l->service, "outbox", o->options.interval_ms, !o->options.off, err);
    if (code != PAWL_OK)
        return code;
    o->count++;
    l->outbox = o;
    l->seed = o->options.seed + o->count;
    l->failed_ms = l->published_ms = -1;
    pw_arena_init(&l->texts, 0);
    pw_arena_init(&l->arena, 0);
    copy_options(l, given);
    l->wants = (pw_sink_wants){ .name = pw_str_of(l->options.name) };
    l->wants.types = read_patterns(l, l->options.types, &l->wants.type_count);
    l->wants.sources = read_patterns(l, l->options.sources, &l->wants.source_count);
    if (l->texts.failed)
        return pw_no_memory(err);
    return o->options.off ? PAWL_OK : pw_sink_open(&l->sink, &l->options, err);
}

static pawl_code make_lanes(pw_outbox *o, pawl_error *err)
{
    pw_sink_wants wants[PW_SINKS_MAX];
    const uint8_t *at = (const uint8_t *)o->options.sinks;
    for (size_t i = 0; i < o->options.sink_count; i++) {
        /* an array of the caller's size of entry, which each entry states */
        const pawl_sink_options *given = (const void *)at;
        pawl_code code = make_lane(o, given, err);
        if (code != PAWL_OK)
            return code;
        wants[i] = o->lanes[i].wants;
        at += given->struct_size;
    }
    return pw_store_sinks(o->options.store, wants, o->count, err);
}

/* ------------------------------------------------------------------ the object */

static void use_defaults(pw_outbox_options *o)
{
    o->batch =
        o->batch ? o->batch : PW_OUTBOX_BATCH; /* not above PW_PAGE_MAX: looked at by who opens */
    o->interval_ms = o->interval_ms ? o->interval_ms : PW_OUTBOX_INTERVAL_MS;
    o->retries = o->retries ? o->retries : PW_OUTBOX_RETRIES;
}

pawl_code pw_outbox_new(pw_outbox **out, const pw_outbox_options *options, pawl_error *err)
{
    if (options->sink_count > PW_SINKS_MAX)
        return pw_fail(err, PAWL_INVALID, "options: there may be at most %u sinks, not %zu",
                       PW_SINKS_MAX, options->sink_count);
    if (options->sink_count > 0 && !options->sinks)
        return pw_fail(err, PAWL_INVALID, "options: sink_count is %zu but sinks is NULL",
                       options->sink_count);
    pw_outbox *o = pw_zalloc(sizeof *o + options->sink_count * sizeof *o->lanes);
    if (!o)
        return pw_no_memory(err);
    o->options = *options;
    use_defaults(&o->options);
    int failed = pthread_mutex_init(&o->lock, NULL);
    if (failed) {
        pw_free(o);
        return pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory");
    }
    pawl_code code = make_lanes(o, err);
    if (code != PAWL_OK) {
        pw_outbox_free(o);
        return code;
    }
    o->options.sinks = NULL; /* the caller's: copied */
    pw_service_expect(o->options.service, o->count > 0 ? o->options.interval_ms : 0,
                      !o->options.off);
    *out = o;
    return PAWL_OK;
}

pawl_code pw_outbox_start(pw_outbox *o, pawl_error *err)
{
    pawl_code code = PAWL_OK;
    for (size_t i = 0; i < o->count && !o->options.off && code == PAWL_OK; i++) {
        lane *l = &o->lanes[i];
        const pw_background_options options = { .thread = "pawl-outbox",
                                                .service = &l->service,
                                                .interval_ms = o->options.interval_ms,
                                                .at_start = true,
                                                .context = l,
                                                .round = run_round,
                                                .ended = round_ended,
                                                .now_ms = now_of_lane };
        code = pw_background_start(&l->thread, &options, err);
    }
    return code;
}

void pw_outbox_stop(pw_outbox *o)
{
    for (size_t i = 0; o && i < o->count; i++)
        pw_background_stop(o->lanes[i].thread);
}

void pw_outbox_free(pw_outbox *o)
{
    if (!o)
        return;
    pw_outbox_stop(o); /* all, before one is waited for */
    for (size_t i = 0; i < o->count; i++) {
        lane *l = &o->lanes[i];
        pw_background_free(l->thread);
        if (l->sink)
            l->sink->kind->close(l->sink);
        pw_service_done(&l->service);
        pw_arena_done(&l->arena);
        pw_arena_done(&l->texts);
    }
    (void)pthread_mutex_destroy(&o->lock);
    pw_free(o);
}

/* ------------------------------------------------------------------ for any thread */

static bool any_fits(const pw_str *patterns, size_t count, pw_str text)
{
    bool fits = count == 0;
    for (size_t i = 0; i < count && !fits; i++)
        fits = pw_store_pattern_fits(patterns[i], text);
    return fits;
}

static bool wants_one(const lane *l, const pw_transition *t)
{
    bool wants = false;
    for (size_t i = 0; i < t->event_count && !wants; i++)
        wants = any_fits(l->wants.types, l->wants.type_count, t->events[i].type) &&
                any_fits(l->wants.sources, l->wants.source_count, t->events[i].source);
    return wants;
}

void pw_outbox_committed(pw_outbox *o, const pw_transition *t)
{
    for (size_t i = 0; o && i < o->count; i++)
        if (wants_one(&o->lanes[i], t))
            pw_background_wake(o->lanes[i].thread);
}

void pw_outbox_wake(pw_outbox *o)
{
    for (size_t i = 0; o && i < o->count; i++)
        pw_background_wake(o->lanes[i].thread);
}

pawl_code pw_outbox_round(pw_outbox *o, uint64_t deadline_ns, pawl_error *err)
{
    pawl_code code = PAWL_OK;
    for (size_t i = 0; o && i < o->count && code == PAWL_OK; i++)
        code =
            o->lanes[i].thread ? pw_background_wait(o->lanes[i].thread, deadline_ns, err) : PAWL_OK;
    return code;
}

pawl_code pw_outbox_look(pw_outbox *o, pw_outbox_sink **out, size_t *count, pw_arena *arena,
                         pawl_error *err)
{
    size_t n = o ? o->count : 0;
    pw_outbox_sink *sinks = PW_NEW_ARRAY(arena, pw_outbox_sink, n + 1);
    if (!sinks)
        return pw_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const lane *l = &o->lanes[i];
        const char *target = l->sink ? l->sink->kind->target(l->sink) : NULL;
        (void)pthread_mutex_lock(&o->lock);
        sinks[i] = (pw_outbox_sink){ .name = pw_arena_str(arena, l->wants.name),
                                     .type = pw_arena_str(arena, pw_str_of(l->options.type)),
                                     .target = pw_arena_str(arena, pw_str_of(target)),
                                     .tried = l->tried,
                                     .failing = l->failing,
                                     .published = l->published,
                                     .failed = l->failed,
                                     .dead = l->dead,
                                     .error = pw_arena_str(arena, pw_str_of(l->error)),
                                     .failed_ms = l->failed_ms,
                                     .published_ms = l->published_ms };
        (void)pthread_mutex_unlock(&o->lock);
    }
    *out = sinks;
    *count = n;
    return arena->failed ? pw_no_memory(err) : PAWL_OK;
}
