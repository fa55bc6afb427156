/* nodes.c - processes with an engine in them: how they are born, live by their own clocks, stand
 * still and die; and the run of one seed.
 *
 * A death drops all threads of a node where they are, and abandons its memory, as a kill does; what
 * it had sent goes on in the world. The next life begins with nothing but the store. */
#include <stdio.h>
#include <stdlib.h>
#include "sim.h"
#include "engine/engine.h"

enum { CALM_MS = 20000 }; /* the faults go on at least this long */

sim_node sim_nodes[SIM_NODES_MAX];

/* How rough this run is, drawn from its seed. */
static struct {
    uint32_t gap_ms; /* between two strokes of chaos, on average */
    uint32_t wild;   /* per thousand: a stroke takes all nodes */
    uint32_t lease_ms;
} roughness;

pawl_resilience sim_resilience;
pw_on_unknown sim_on_unknown;

/* ------------------------------------------------------------------ clocks */

static int64_t drifted(uint64_t ns, int64_t ppm)
{
    return (int64_t)ns + (int64_t)(ns / 1000) * ppm / 1000;
}

uint64_t sim_monotonic_ns(const sim_node *node)
{
    PW_ASSERT(node != NULL);
    return node->monotonic_ns + (uint64_t)drifted(sim_now_ns - node->born_ns, node->monotonic_ppm);
}

uint64_t sim_true_ns(const sim_node *node, uint64_t monotonic_ns)
{
    if (monotonic_ns == UINT64_MAX)
        return UINT64_MAX;
    uint64_t now = sim_monotonic_ns(node);
    if (monotonic_ns <= now)
        return sim_now_ns;
    uint64_t ns = (uint64_t)drifted(monotonic_ns - now, -node->monotonic_ppm) + SIM_US;
    return ns > UINT64_MAX / 2 ? UINT64_MAX : sim_now_ns + ns;
}

uint64_t sim_wall_ms(void *context)
{
    const sim_node *node = context;
    int64_t drift =
        drifted(sim_now_ns - node->born_ns, node->wall_ppm) - (int64_t)(sim_now_ns - node->born_ns);
    return (uint64_t)(sim_now_ms() + node->wall_offset_ms + drift / (int64_t)SIM_MS);
}

/* ------------------------------------------------------------------ points and death */

bool sim_is_same(const sim_node *node, uint32_t life)
{
    return node->alive && node->life == life;
}

static void bury(sim_node *node)
{
    sim_out->deaths++;
    node->alive = false;
    node->closing = false;
    node->engine = NULL;
    node->death_in = 0;
    node->paused_until_ns = 0;
    node->calls = 0;
    sim_wake(node);
    sim_drop_threads(node); /* does not come back if one of them called */
}

void sim_die(const char *where)
{
    sim_node *node = sim_self();
    sim_note("dies: %s", where);
    bury(node);
    abort(); /* not reached */
}

void sim_stand_still(const char *where)
{
    sim_node *node = sim_self();
    uint64_t ms = 1 + sim_below(SIM_CHAOS, 3 * roughness.lease_ms);
    node->paused_until_ns = sim_now_ns + ms * SIM_MS;
    sim_note("stands still for %llu ms: %s", (unsigned long long)ms, where);
    sim_yield();
}

void sim_point(const char *name)
{
    sim_node *node = sim_self();
    if (!node)
        return;
    if (node->death_in > 0 && --node->death_in == 0)
        sim_die(name);
    if (sim_fault(SIM_PAUSES, SIM_SCHEDULE, 1))
        sim_stand_still(name);
    if (sim_chance(SIM_SCHEDULE, 500))
        sim_yield();
}

/* ------------------------------------------------------------------ a life */

static void on_step(void *context, const char *entries)
{
    (void)context;
    sim_ledger_reported(entries);
}

/* A function that the program has only later: what waits for it is held until then. */
static void register_late(void *context)
{
    sim_node *node = context;
    const pawl_activity_options *late = &sim_activities[sim_activity_count - 1];
    pawl_error err = { .code = PAWL_OK };
    sim_sleep(sim_below(SIM_CHAOS, 5 * SIM_S));
    node->complete = pawl_register(node->engine, late, &err) == PAWL_OK;
    sim_note("registers '%s': %s", late->name, node->complete ? "ok" : err.message);
    node->calls--;
    sim_wake(&node->calls);
}

static void live(void *context)
{
    sim_node *node = context;
    pawl_options options = pawl_options_default();
    options.store = "memory:";
    options.step_threads = 1 + node->number % 3;
    options.now_ms = sim_wall_ms;
    options.clock = node;
    options.activities = sim_activities;
    node->complete = sim_healed || sim_chance(SIM_CHAOS, 800);
    options.activity_count = sim_activity_count - !node->complete;
    options.on_step = on_step;
    options.resilience = &sim_resilience;
    options.sinks = sim_sinks;
    options.sink_count = sim_sink_count;
    options.outbox_batch = 1 + (uint32_t)sim_below(SIM_CHAOS, 20);
    options.outbox_retries = sim_sink_retries;
    options.egress_allow = "all";
    options.job_lease_ms = 1000u << sim_below(SIM_CHAOS, 5);
    pawl_error err = { .code = PAWL_OK };
    pawl *engine = NULL;
    char name[16];
    (void)snprintf(name, sizeof name, "node%u", node->number);
    const pw_node_options named = { .name = name, .lease_ms = roughness.lease_ms };
    pawl_code code = pw_engine_open(&engine, &options, &named, sim_store_of(node), &err);
    if (code != PAWL_OK) {
        sim_note("cannot open: %s", err.message);
        bury(node);
        return;
    }
    if (sim_chance(SIM_CHAOS, 300)) /* steps that are cut, and go on */
        engine->settings.tasks_per_step = 1 + (uint32_t)sim_below(SIM_CHAOS, 4);
    node->engine = engine;
    if (!node->complete) {
        node->calls++;
        (void)sim_spawn(node, "register", register_late, node);
    }
    sim_note("open, %u shards, %u tasks a step", options.step_threads,
             engine->settings.tasks_per_step);
    while (!node->closing)
        (void)sim_wait(&node->closing, UINT64_MAX);
    while (node->calls > 0) /* no other call may be running */
        (void)sim_wait(&node->calls, UINT64_MAX);
    sim_note("closes");
    pawl_close(engine);
    sim_note("closed");
    node->engine = NULL;
    node->alive = node->closing = false;
    node->death_in = 0;
    sim_wake(node);
}

static void be_born(sim_node *node)
{
    node->life++;
    node->alive = true;
    node->closing = false;
    node->engine = NULL;
    node->death_in = 0;
    node->calls = 0;
    node->born_ns = sim_now_ns;
    node->monotonic_ns = (uint64_t)(node->number * 1000 + node->life) * SIM_S; /* as after a boot */
    node->random = sim_random(SIM_CHAOS);
    bool drift = !sim_healed && !sim_settings.off[SIM_CLOCKS];
    node->monotonic_ppm = drift ? (int64_t)sim_below(SIM_CHAOS, 401) - 200 : 0;
    node->wall_ppm = drift ? (int64_t)sim_below(SIM_CHAOS, 401) - 200 : 0;
    node->wall_offset_ms = drift ? (int64_t)sim_below(SIM_CHAOS, 2001) - 1000 : 0;
    sim_note("node %u starts, life %u", node->number, node->life);
    (void)sim_spawn(node, "program", live, node);
}

/* ------------------------------------------------------------------ calls of users */

typedef struct call {
    void (*f)(pawl *engine, void *context);
    void *context;
    sim_node *node;
    bool done;
} call;

static void run_call(void *context)
{
    call *c = context;
    c->f(c->node->engine, c->context);
    c->done = true;
    c->node->calls--;
    sim_wake(&c->node->calls);
    sim_wake(c->node);
}

bool sim_call_in(sim_node *node, const char *name, void (*f)(pawl *engine, void *context),
                 void *context)
{
    if (!node || !node->alive || !node->engine || node->closing)
        return false;
    call c = { f, context, node, false };
    uint32_t life = node->life;
    node->calls++;
    (void)sim_spawn(node, name, run_call, &c);
    while (!c.done && sim_is_same(node, life))
        (void)sim_wait(node, UINT64_MAX);
    return c.done;
}

sim_node *sim_pick_node(sim_stream stream)
{
    uint32_t first = (uint32_t)sim_below(stream, sim_settings.nodes);
    for (uint32_t i = 0; i < sim_settings.nodes; i++) {
        sim_node *node = &sim_nodes[(first + i) % sim_settings.nodes];
        if (node->alive && node->engine && !node->closing)
            return node;
    }
    return NULL;
}

/* ------------------------------------------------------------------ chaos */

static void start_again(void *context)
{
    sim_node *node = context;
    if (!node->alive && !node->done)
        be_born(node);
}

/* Not at once: the point at which it dies is one of the next that it passes. */
static void doom(sim_node *node)
{
    if (node->alive && node->death_in == 0) {
        node->death_in = 1 + (uint32_t)sim_below(SIM_CHAOS, sim_chance(SIM_CHAOS, 500) ? 8 : 120);
        sim_note("node %u is to die in %u points", node->number, node->death_in);
    }
}

static void pause_node(sim_node *node)
{
    static const uint32_t lengths_ms[] = { 50, 500, 5000, 20000, 70000 };
    uint64_t ms = 1 + sim_below(SIM_CHAOS, lengths_ms[sim_below(SIM_CHAOS, 5)]);
    if (!node->alive)
        return;
    node->paused_until_ns = sim_now_ns + ms * SIM_MS;
    sim_note("node %u stands still for %llu ms", node->number, (unsigned long long)ms);
}

static void move_clock(sim_node *node)
{
    static const int64_t lengths_ms[] = { 100, 2000, 30000, 300000, 1800000 };
    int64_t ms = (int64_t)sim_below(SIM_CHAOS, (uint64_t)lengths_ms[sim_below(SIM_CHAOS, 5)]);
    if (sim_chance(SIM_CHAOS, 500))
        ms = -ms;
    node->wall_offset_ms = ms; /* from the true time: it does not run away */
    sim_note("node %u: its clock is now off by %lld ms", node->number, (long long)ms);
}

static void close_node(sim_node *node)
{
    if (!node->alive || !node->engine || node->closing)
        return;
    sim_note("node %u is asked to close", node->number);
    node->closing = true;
    sim_wake(&node->closing);
}

static void strike(sim_node *node)
{
    static const struct {
        sim_kind kind;
        uint32_t weight;
        void (*act)(sim_node *node);
    } strokes[] = { { SIM_DEATHS, 4, doom },
                    { SIM_PAUSES, 3, pause_node },
                    { SIM_CLOCKS, 2, move_clock },
                    { SIM_CLOSES, 1, close_node } };
    uint64_t at = sim_below(SIM_CHAOS, 10);
    for (size_t i = 0; i < PW_LENGTH(strokes); i++) {
        if (at < strokes[i].weight) {
            if (!sim_settings.off[strokes[i].kind])
                strokes[i].act(node);
            return;
        }
        at -= strokes[i].weight;
    }
}

static void raise_the_dead(bool all)
{
    for (uint32_t i = 0; i < sim_settings.nodes; i++)
        if (!sim_nodes[i].alive && (all || sim_chance(SIM_CHAOS, 600)))
            sim_at(sim_now_ns + sim_below(SIM_CHAOS, all ? SIM_S : 20 * SIM_S), start_again,
                   &sim_nodes[i]);
}

void sim_raise_all(void)
{
    raise_the_dead(true);
}

static void heal(void)
{
    sim_healed = true;
    sim_note("from here on all is well");
    for (uint32_t i = 0; i < sim_settings.nodes; i++) {
        sim_node *node = &sim_nodes[i];
        node->death_in = 0;
        node->monotonic_ns = sim_monotonic_ns(node); /* it must not jump */
        node->born_ns = sim_now_ns;
        node->wall_ppm = node->monotonic_ppm = 0;
        node->wall_offset_ms = 0;
        if (node->paused_until_ns > sim_now_ns)
            node->paused_until_ns = sim_now_ns;
    }
    raise_the_dead(true);
}

static void chaos(void *context)
{
    (void)context;
    while (!sim_users_done() || sim_now_ns < CALM_MS * SIM_MS) {
        sim_sleep((1 + sim_below(SIM_CHAOS, 2 * roughness.gap_ms)) * SIM_MS);
        raise_the_dead(false);
        bool all = sim_chance(SIM_CHAOS, roughness.wild);
        uint32_t one = (uint32_t)sim_below(SIM_CHAOS, sim_settings.nodes);
        for (uint32_t i = 0; i < sim_settings.nodes; i++)
            if (all || i == one)
                strike(&sim_nodes[i]);
    }
    heal();
    sim_finish();
    sim_check_end();
    sim_note("the end");
}

/* ------------------------------------------------------------------ one seed */

static uint32_t or_drawn(uint32_t given, uint32_t from, uint32_t to)
{
    uint32_t drawn = (uint32_t)sim_between(SIM_CASE, from, to); /* also when it is not used */
    return given ? given : drawn;
}

/* Half of the runs have all kinds of faults, the others some: a fault that hides another is away.
 */
static void draw_case(const sim_case *c)
{
    sim_settings = *c;
    sim_settings.nodes = or_drawn(c->nodes, 1, SIM_NODES_MAX);
    sim_settings.instances = or_drawn(c->instances, 1, 12);
    sim_settings.tasks = or_drawn(c->tasks, 1, 10);
    sim_settings.users = or_drawn(c->users, 1, 3);
    bool all = sim_chance(SIM_CASE, 500);
    for (uint32_t i = 0; i < SIM_KIND_COUNT; i++) {
        bool without = sim_chance(SIM_CASE, 400);
        sim_settings.off[i] = c->off[i] || (without && !all);
    }
    roughness.gap_ms = 40u << sim_below(SIM_CASE, 8);
    roughness.wild = (uint32_t)sim_below(SIM_CASE, 200);
    roughness.lease_ms = 1000u << sim_below(SIM_CASE, 5);
}

/* Small enough for what a run takes: of all nodes the same. */
static void draw_resilience(void)
{
    static const char *const unknown[] = { "resend", "resend", "ask", "fault" };
    uint64_t which = sim_below(SIM_CASE, PW_LENGTH(unknown));
    pawl_resilience *r = &sim_resilience;
    *r = pawl_resilience_default();
    r->retries = (uint32_t)sim_below(SIM_CASE, 5);
    r->base_delay_ms = 1 + sim_below(SIM_CASE, 1000);
    r->max_delay_ms = 5000;
    r->call_retries = (uint32_t)sim_below(SIM_CASE, 6);
    r->call_base_delay_ms = 1 + sim_below(SIM_CASE, 2000);
    r->call_max_delay_ms = 10000;
    r->breaker_failures = 2 + (uint32_t)sim_below(SIM_CASE, 4);
    r->breaker_throughput = r->breaker_failures + (uint32_t)sim_below(SIM_CASE, 4);
    r->breaker_window_ms = 5000 + sim_below(SIM_CASE, 25000);
    r->breaker_break_ms = 1000 + sim_below(SIM_CASE, 15000);
    r->calls_at_once = 1 + (uint32_t)sim_below(SIM_CASE, 8);
    r->store_ms = 1000 + sim_below(SIM_CASE, 30000);
    r->long_running_ms = sim_chance(SIM_CASE, 700) ? 10000 + sim_below(SIM_CASE, 120000) : 0;
    r->suspend_after = (uint32_t)sim_below(SIM_CASE, 6);
    r->suspend_within_ms = 60000 + sim_below(SIM_CASE, 1800000);
    r->on_unknown = unknown[which];
    sim_on_unknown = which < 2 ? PW_ON_UNKNOWN_RESEND : which == 2 ? PW_ON_UNKNOWN_ASK : PW_ON_UNKNOWN_FAULT;
}

void sim_run(const sim_case *c, sim_result *out)
{
    sim_out = out;
    sim_world_init(c->seed);
    draw_case(c);
    draw_resilience();
    sim_note("seed %llu: %u nodes, %u instances, %u tasks, %u users", (unsigned long long)c->seed,
             sim_settings.nodes, sim_settings.instances, sim_settings.tasks, sim_settings.users);
    out->nodes = sim_settings.nodes;
    sim_store_open();
    sim_flows_make(1 + (uint32_t)sim_below(SIM_CASE, 3), sim_settings.tasks);
    for (uint32_t i = 0; i < sim_settings.nodes; i++) {
        sim_nodes[i].number = i + 1;
    }
    raise_the_dead(true);
    sim_users_start(sim_settings.users, sim_settings.instances);
    sim_workers_start(1 + (uint32_t)sim_below(SIM_CASE, 3));
    (void)sim_spawn(NULL, "chaos", chaos, NULL);
    sim_loop();
    out->simulated_ms = sim_now_ns / SIM_MS;
    out->finished = true;
}
