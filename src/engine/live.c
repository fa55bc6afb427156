/* live.c - loading, forgetting and compacting an instance; its started intents.
 *
 * The arena only grows from step to step: the state of before must stay whole until the commit has
 * answered. When it has grown to several times what the state needed, the state is copied to a
 * fresh one. */
#include "engine/cleanup.h"
#include "engine/shard.h"

enum { COMPACT_FROM = 64 * 1024, FIRST_FLIGHTS = 4 };

pw_live *pw_live_new(pw_slot *slot)
{
    pw_live *live = pw_zalloc(sizeof *live);
    if (!live)
        return NULL;
    live->slot = slot;
    live->last_command = &live->commands;
    live->last_call = &live->calls;
    live->last_job = &live->jobs;
    live->last_ticket = &live->tickets;
    live->timer_at = PW_WAKE_NEVER;
    pw_arena_init(&live->arena, 0);
    return live;
}

void pw_live_free(pw_live *live)
{
    if (!live)
        return;
    PW_ASSERT(!live->committing && !live->commands && !live->calls && !live->jobs &&
              !live->tickets && !live->watches);
    pw_hearing_free(live);
    pw_arena_done(&live->arena);
    pw_program_unref(live->program);
    if (live->flights)
        pw_free(live->flights - live->flight_skip);
    pw_free(live);
}

pw_str pw_live_id(const pw_live *live)
{
    return (pw_str){ live->slot->id, PW_ID_LENGTH };
}

static bool is_over(pw_status status, const pw_state *state)
{
    return pw_status_ended(status) && !(status == PW_FAULTED && state && pw_state_has_incident(state));
}

static bool is_asleep(pw_status status)
{
    return status == PW_SUSPENDED || pw_status_ended(status);
}

bool pw_live_over(const pw_live *live)
{
    return is_over(live->status, live->state);
}

bool pw_live_asleep(const pw_live *live)
{
    return is_asleep(live->status);
}

bool pw_transition_over(const pw_transition *t)
{
    return is_over(t->status, t->state);
}

bool pw_transition_asleep(const pw_transition *t)
{
    return is_asleep(t->status);
}

void pw_live_forget(pw_live *live)
{
    PW_ASSERT(!live->committing);
    live->state = NULL;
    live->correlation = live->trace = (pw_str){ 0 };
    live->timer_at = PW_WAKE_NEVER;
    live->drive = live->plan = live->check_calls = live->check_work = live->wants_function = false;
    pw_hear_forget(live);
    pw_arena_reset(&live->arena);
}

/* The next copy pays for itself when that much was added. */
static void set_compact_at(pw_live *live)
{
    live->compact_at = COMPACT_FROM + 4 * live->arena.used;
}

pawl_code pw_live_undefined(const pw_instance_row *row, pawl_code code, pawl_error *err)
{
    return pw_fail(err, code, "the definition '" PW_FMT "/" PW_FMT "' version '" PW_FMT "' of the instance is not in the store",
                   PW_ARG(row->namespace_), PW_ARG(row->name), PW_ARG(row->version));
}

static pawl_code load(pw_live *live, const pw_instance_row *row, pw_programs *programs,
                      pw_store *store, const pw_core_settings *settings, pawl_error *err)
{
    if (!live->program) {
        pawl_code code = pw_programs_get(programs, store, row->namespace_, row->name, row->version,
                                         false, &live->program, NULL, err);
        if (code == PAWL_NOT_FOUND)
            return pw_live_undefined(row, PAWL_CORRUPT, err);
        if (code != PAWL_OK)
            return code;
    }
    pw_state *state = NULL;
    const pw_payload_source payloads = pw_store_payloads(store, pw_live_id(live));
    pawl_code code = pw_state_parse_branches(&state, row->state, row->branches, live->program,
                                             &payloads, &live->arena, err);
    if (code != PAWL_OK)
        return code;
    live->correlation = pw_arena_str(&live->arena, row->correlation);
    live->trace = pw_arena_str(&live->arena, row->trace);
    if (!live->correlation.ptr || !live->trace.ptr)
        return pw_no_memory(err);
    live->state = state;
    live->status = pw_state_status(state);
    live->token = row->token;
    live->created_ms = row->created_ms;
    live->last_ms = row->updated_ms;
    live->timer_at = pw_state_timer(state, settings);
    live->drive = pw_state_cut(state);
    live->plan = pw_state_plan_wanted(&(pw_plan_wanted){ 0 }, state);
    live->check_calls = row->wake_at == 0;
    live->check_work = row->wake_at == 0;
    pw_hear_loaded(live);
    set_compact_at(live);
    return PAWL_OK;
}

pawl_code pw_live_load(pw_live *live, pw_store *store, pw_programs *programs,
                       const pw_core_settings *settings, pawl_error *err)
{
    pw_arena scratch;
    pw_arena_init(&scratch, 0);
    pw_live_forget(live);
    pw_instance_row row = { 0 };
    pawl_code code = pw_store_instance_get(store, pw_live_id(live), true, &row, &scratch, err);
    if (code == PAWL_OK)
        code = pw_cleanup_check_whole(&row, err);
    if (code == PAWL_OK)
        code = load(live, &row, programs, store, settings, err);
    if (code != PAWL_OK)
        pw_live_forget(live);
    pw_arena_done(&scratch);
    return code;
}

void pw_live_compact(pw_live *live)
{
    if (!live->state || live->arena.used <= live->compact_at)
        return;
    pw_arena fresh;
    pw_arena_init(&fresh, 0);
    pw_state *state = NULL;
    pw_str correlation = pw_arena_str(&fresh, live->correlation);
    pw_str trace = pw_arena_str(&fresh, live->trace);
    if (!correlation.ptr || !trace.ptr || pw_state_copy(&state, live->state, &fresh, NULL) != PAWL_OK) {
        pw_arena_done(&fresh); /* it goes on in the old one, and tries again later */
        live->compact_at = live->arena.used * 2;
        return;
    }
    pw_arena_done(&live->arena);
    live->arena = fresh;
    live->state = state;
    live->correlation = correlation;
    live->trace = trace;
    set_compact_at(live);
}

/* ------------------------------------------------------------------ what was started */

pawl_code pw_live_reserve_flights(pw_live *live, size_t more, pawl_error *err)
{
    if (more <= live->flight_size - live->flight_skip - live->flight_count)
        return PAWL_OK;
    pw_flight *flights = live->flights ? live->flights - live->flight_skip : NULL;
    size_t size = live->flight_size ? live->flight_size : FIRST_FLIGHTS;
    if (live->flight_count > 0)
        memmove(flights, live->flights, live->flight_count * sizeof *flights);
    live->flights = flights;
    live->flight_skip = 0;
    while (size / 2 < live->flight_count + more) /* then it is not moved again soon */
        size *= 2;
    if (size == live->flight_size)
        return PAWL_OK;
    flights = size > UINT32_MAX ? NULL : pw_realloc(flights, size * sizeof *flights);
    if (!flights)
        return pw_no_memory(err);
    live->flights = flights;
    live->flight_size = (uint32_t)size;
    return PAWL_OK;
}

/* The first that is not below; they are in order of visit and attempt, and new ones mostly the
 * last: a fork may have thousands. */
static uint32_t flight_place(const pw_live *live, uint64_t visit, uint32_t attempt)
{
    uint32_t low = 0, high = live->flight_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const pw_flight *flight = &live->flights[middle];
        if (flight->visit < visit || (flight->visit == visit && flight->attempt < attempt))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void pw_live_add_flight(pw_live *live, pw_flight flight)
{
    PW_ASSERT(live->flight_count < live->flight_size);
    uint32_t at = flight_place(live, flight.visit, flight.attempt);
    memmove(live->flights + at + 1, live->flights + at,
            (live->flight_count++ - at) * sizeof *live->flights);
    live->flights[at] = flight;
}

pw_flight *pw_live_find_flight(pw_live *live, uint64_t visit, uint32_t attempt)
{
    uint32_t at = flight_place(live, visit, attempt);
    if (at == live->flight_count || live->flights[at].visit != visit ||
        live->flights[at].attempt != attempt)
        return NULL;
    return &live->flights[at];
}

void pw_live_remove_flight(pw_live *live, pw_flight *flight)
{
    size_t before = (size_t)(flight - live->flights), after = --live->flight_count - before;
    if (before < after) {
        memmove(live->flights + 1, live->flights, before * sizeof *flight);
        live->flights++;
        live->flight_skip++;
    } else {
        memmove(flight, flight + 1, after * sizeof *flight);
    }
}
