/* sinks.c - where the nodes of the simulation publish: a place outside of all of them, which remembers what came to it.
 *
 * An event that comes must be one that was committed; of an instance's events each must come for the first time behind all that
 * were before it, whoever sends them and however often. At the end each has come, or is a dead letter: refused by the sink, or failed
 * as often as it may. pawl-sim links this in place of drivers/sink.c. */
#include "sim.h"
#include "drivers/sink.h"
#include "store/store.h"

#define RETRIES 3u
enum { EVENTS_MAX = 1u << 16, PUBLISH_LIMIT_S = 7200 /* a clock that was ahead has stored an instant as far ahead */ };

const pawl_sink_options sim_sinks[] = {
    { .struct_size = sizeof(pawl_sink_options), .name = "all", .type = "sim" },
    { .struct_size = sizeof(pawl_sink_options), .name = "some", .type = "sim", .types = "test.*,*.workflow.*" },
};
const size_t sim_sink_count = PW_LENGTH(sim_sinks);
const uint32_t sim_sink_retries = RETRIES;

typedef struct came {
    uint32_t alias, ordinal;
    uint64_t sequence;
} came;

static struct {
    came events[EVENTS_MAX]; /* in the order in which they came for the first time */
    size_t count;
} places[PW_LENGTH(sim_sinks)];

typedef struct sim_sink {
    pw_sink sink;
    size_t place;
} sim_sink;

/* Of no chance: whoever sends it, and however often. */
static bool is_refused(pw_str id)
{
    return pw_hash64(7, id.ptr, id.len) % 100 == 0;
}

static bool has_come(size_t place, uint32_t alias, uint64_t sequence, uint64_t ordinal)
{
    for (size_t i = places[place].count; i-- > 0;) {
        const came *c = &places[place].events[i];
        if (c->alias == alias && c->sequence == sequence && c->ordinal == ordinal)
            return true;
    }
    return false;
}

/* The newest of the instance that came for the first time. */
static const came *last_of(size_t place, uint32_t alias)
{
    for (size_t i = places[place].count; i-- > 0;)
        if (places[place].events[i].alias == alias)
            return &places[place].events[i];
    return NULL;
}

static void take(size_t place, const pw_sink_event *e)
{
    pw_arena arena;
    pw_publish_row row;
    uint32_t alias = sim_alias(e->instance);
    const came *last = last_of(place, alias);
    pw_arena_init(&arena, 0);
    if (pw_store_letter_get(sim_store, e->id, pw_str_of(sim_sinks[place].name), &row, &arena, NULL) != PAWL_OK)
        sim_violation("i%u: the event " PW_FMT " is published, and nobody committed it", alias, PW_ARG(e->id));
    pw_arena_done(&arena);
    if (has_come(place, alias, e->sequence, e->ordinal))
        return;
    if (last && (e->sequence < last->sequence || (e->sequence == last->sequence && e->ordinal < last->ordinal)))
        sim_violation("i%u: the event " PW_FMT " came to '%s' behind one that is newer", alias, PW_ARG(e->id),
                      sim_sinks[place].name);
    PW_ASSERT(places[place].count < EVENTS_MAX);
    places[place].events[places[place].count++] = (came){ alias, (uint32_t)e->ordinal, e->sequence };
}

static void send_one(sim_sink *s, pw_sink_event *e, bool *closed)
{
    sim_point("sink: before an event");
    sim_sleep(sim_below(SIM_SERVICE, sim_fault(SIM_HTTP, SIM_SERVICE, 20) ? 5 * SIM_S : 5 * SIM_MS));
    if (is_refused(e->id)) {
        e->end = PW_SINK_REFUSED;
        e->error = PW_LIT("no");
        return;
    }
    bool fails = sim_fault(SIM_HTTP, SIM_SERVICE, 60);
    bool comes = !fails || sim_chance(SIM_SERVICE, 500);
    if (comes)
        take(s->place, e);
    sim_point("sink: behind an event");
    e->end = fails ? PW_SINK_FAILED : PW_SINK_TAKEN;
    e->whole = fails && !comes && sim_chance(SIM_SERVICE, 300);
    e->error = fails ? PW_LIT("no answer") : (pw_str){ "", 0 };
    *closed = e->whole;
}

static void publish(pw_sink *sink, pw_sink_event *events, size_t count, bool (*stop)(void *context), void *context,
                    pw_arena *arena)
{
    bool closed = false;
    (void)arena;
    for (size_t i = 0; i < count && !closed && !stop(context); i++) {
        bool held = false;
        for (size_t j = 0; j < i && !held; j++)
            held = pw_str_eq(events[j].instance, events[i].instance) && events[j].end != PW_SINK_TAKEN;
        if (!held)
            send_one((sim_sink *)sink, &events[i], &closed);
    }
}

static void close_sink(pw_sink *sink)
{
    (void)sink; /* it goes with the run */
}

static const char *target(const pw_sink *sink)
{
    return sim_sinks[((const sim_sink *)sink)->place].name;
}

static const pw_sink_kind kind = { .name = "sim", .publish = publish, .close = close_sink, .target = target };

pawl_code pw_sink_open(pw_sink **out, const pawl_sink_options *options, pawl_error *err)
{
    (void)err;
    sim_sink *s = sim_alloc(sizeof *s);
    s->sink.kind = &kind;
    while (!pw_str_is(pw_str_of(sim_sinks[s->place].name), options->name))
        s->place++;
    *out = &s->sink;
    return PAWL_OK;
}

/* ------------------------------------------------------------------ the end */

static uint64_t pending(void)
{
    pw_arena arena;
    pw_publish_counts *counts = NULL;
    size_t count = 0;
    uint64_t sum = 0;
    pw_arena_init(&arena, 0);
    pawl_code code = pw_store_publish_count(sim_store, &counts, &count, &arena, NULL);
    PW_ASSERT(code == PAWL_OK);
    for (size_t i = 0; i < count; i++)
        sum += counts[i].pending;
    pw_arena_done(&arena);
    return sum;
}

void sim_sinks_finish(void)
{
    for (uint64_t limit = sim_now_ns + PUBLISH_LIMIT_S * SIM_S; pending() > 0; sim_sleep(SIM_S))
        if (sim_now_ns > limit)
            sim_violation("%llu events are never published", (unsigned long long)pending());
}

void sim_check_published(uint32_t alias, const pw_outbox_row *rows, size_t count, pw_arena *arena)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t place = 0; place < sim_sink_count; place++) {
            pw_publish_row row;
            pw_str name = pw_str_of(sim_sinks[place].name);
            if (pw_store_letter_get(sim_store, rows[i].event.id, name, &row, arena, NULL) != PAWL_OK) {
                if (place == 0)
                    sim_violation("i%u: the event " PW_FMT " is for no sink", alias, PW_ARG(rows[i].event.id));
                continue;
            }
            bool there = has_come(place, alias, row.event.sequence, row.ordinal);
            bool may_die = is_refused(rows[i].event.id) || row.attempts >= RETRIES;
            if (row.state == PW_PUBLISH_DONE ? !there : row.state != PW_PUBLISH_DEAD || !may_die)
                sim_violation("i%u: the event " PW_FMT " is %s at '" PW_FMT "', and %s there", alias,
                              PW_ARG(rows[i].event.id), pw_publish_state_name(row.state), PW_ARG(name),
                              there ? "was" : "was never");
        }
    }
}
