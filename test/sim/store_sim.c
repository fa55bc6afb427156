/* store_sim.c - the store as one node sees it: the real memory store behind a connection that takes
 * time, loses answers and breaks.
 *
 * One memory store is the truth of the run. Each node has a wrapper around it. An operation is a
 * yield point before and after, so that others act in between and the node may die on either side
 * of the commit. After PAWL_IO of a commit everything the node writes fails until it opens the
 * store again, which may fail for a while too (an outage). Every step that really was committed
 * goes to the ledger. */
#include "sim.h"
#include "store/memory/memory.h"
#include "store/store_internal.h"

typedef struct node_store {
    pw_store base;
    pw_store *real;
    sim_node *node;
    bool broken;
    uint64_t outage_until_ns;
} node_store;

pw_store *sim_store;

static node_store *of(pw_store *base)
{
    return (node_store *)base;
}

static void take_time(uint64_t most_ns)
{
    if (sim_fault(SIM_STORE, SIM_STORE_CHANCE, 10))
        most_ns = 3 * SIM_S;
    sim_sleep(sim_below(SIM_STORE_CHANCE, most_ns));
}

static pawl_code lost(pawl_error *err, const char *what)
{
    return pw_fail(err, PAWL_IO, "the simulated store fails: %s", what);
}

/* ------------------------------------------------------------------ reads */

static pawl_code before_read(pw_store *base, const char *what, pawl_error *err)
{
    node_store *s = of(base);
    sim_point(what);
    if (sim_chance(SIM_STORE_CHANCE, 100))
        take_time(2 * SIM_MS);
    if (sim_now_ns < s->outage_until_ns || sim_fault(SIM_STORE, SIM_STORE_CHANCE, 4)) {
        sim_note("store: %s fails", what);
        return lost(err, what);
    }
    return PAWL_OK;
}

/* What was read is old by the time it is looked at. */
static pawl_code after_read(pawl_code code)
{
    sim_point("after a read");
    return code;
}

#define READ(name, parameters, arguments)                                                          \
    static pawl_code node_##name parameters                                                        \
    {                                                                                              \
        pawl_code code = before_read(base, "read " #name, err);                                    \
        return code == PAWL_OK ? after_read(of(base)->real->ops->name arguments) : code;           \
    }

READ(definition_get,
     (pw_store * base, pw_str namespace_, pw_str name, pw_str version, pw_definition *out,
      pw_arena *arena, pawl_error *err),
     (of(base)->real, namespace_, name, version, out, arena, err))
READ(definition_versions,
     (pw_store * base, pw_str namespace_, pw_str name, pw_definition **out, size_t *count,
      pw_arena *arena, pawl_error *err),
     (of(base)->real, namespace_, name, out, count, arena, err))
READ(instance_get,
     (pw_store * base, pw_str id, bool with_state, pw_instance_row *out, pw_arena *arena,
      pawl_error *err),
     (of(base)->real, id, with_state, out, arena, err))
READ(instance_list,
     (pw_store * base, const pw_instance_filter *filter, int64_t created_ms, pw_str id,
      uint32_t limit, pw_instance_row **out, size_t *count, pw_arena *arena, pawl_error *err),
     (of(base)->real, filter, created_ms, id, limit, out, count, arena, err))
READ(next_due, (pw_store * base, int64_t until_ms, int64_t *out, pawl_error *err),
     (of(base)->real, until_ms, out, err))
READ(steps,
     (pw_store * base, pw_str instance, uint64_t from, uint32_t limit, pw_step_row **out,
      size_t *count, pw_arena *arena, pawl_error *err),
     (of(base)->real, instance, from, limit, out, count, arena, err))
READ(bookmarks,
     (pw_store * base, pw_str instance, bool open_only, pw_bookmark_row **out, size_t *count,
      pw_arena *arena, pawl_error *err),
     (of(base)->real, instance, open_only, out, count, arena, err))
READ(bookmark_by_key,
     (pw_store * base, pw_str instance, pw_str key, pw_bookmark_row *out, pw_arena *arena,
      pawl_error *err),
     (of(base)->real, instance, key, out, arena, err))
READ(calls,
     (pw_store * base, pw_str instance, bool pending_only, pw_call_row **out, size_t *count,
      pw_arena *arena, pawl_error *err),
     (of(base)->real, instance, pending_only, out, count, arena, err))
READ(outbox,
     (pw_store * base, pw_str instance, int64_t step, int64_t ordinal, uint32_t limit,
      pw_outbox_row **out, size_t *count, pw_arena *arena, pawl_error *err),
     (of(base)->real, instance, step, ordinal, limit, out, count, arena, err))
READ(faults,
     (pw_store * base, pw_str instance, pw_fault_row **out, size_t *count, pw_arena *arena,
      pawl_error *err),
     (of(base)->real, instance, out, count, arena, err))
READ(inbox_get,
     (pw_store * base, pw_str target, pw_str key, pw_inbox_row *out, pw_arena *arena,
      pawl_error *err),
     (of(base)->real, target, key, out, arena, err))

static pawl_code node_due(pw_store *base, int64_t until_ms, int64_t after_ms, pw_str after_id,
                          uint32_t limit, pw_due **out, size_t *count, pw_arena *arena,
                          pawl_error *err)
{
    pawl_code code = before_read(base, "read due", err);
    if (code == PAWL_OK)
        code = of(base)->real->ops->due(of(base)->real, until_ms, after_ms, after_id, limit, out,
                                        count, arena, err);
    if (code == PAWL_OK && sim_settings.plant == SIM_PLANT_LOST_TIMER) {
        size_t kept = 0;
        for (size_t i = 0; i < *count; i++)
            if ((*out)[i].wake_at == 0)
                (*out)[kept++] = (*out)[i];
        *count = kept;
    }
    return after_read(code);
}

static pawl_code node_inbox_pending(pw_store *base, uint32_t limit, pw_inbox_row **out,
                                    size_t *count, pw_arena *arena, pawl_error *err)
{
    pawl_code code = before_read(base, "read inbox_pending", err);
    if (code == PAWL_OK)
        code = of(base)->real->ops->inbox_pending(of(base)->real, limit, out, count, arena, err);
    if (code == PAWL_OK && sim_settings.plant == SIM_PLANT_LOST_INBOX)
        *count = 0;
    return after_read(code);
}

/* ------------------------------------------------------------------ writes */

static pawl_code before_write(node_store *s, const char *what, pawl_error *err)
{
    sim_point(what);
    take_time(5 * SIM_MS);
    sim_point(what);
    return s->broken || sim_now_ns < s->outage_until_ns ? lost(err, "it was not opened again")
                                                        : PAWL_OK;
}

/* The connection breaks, with what was written on one side of it or the other. */
static bool breaks(node_store *s)
{
    if (!sim_fault(SIM_STORE, SIM_STORE_CHANCE, 25))
        return false;
    s->broken = true;
    if (sim_chance(SIM_STORE_CHANCE, 300))
        s->outage_until_ns = sim_now_ns + sim_below(SIM_STORE_CHANCE, 20 * SIM_S);
    return true;
}

static pawl_code broke(const char *what, bool applied, pawl_error *err)
{
    sim_note("store: %s breaks, %s", what, applied ? "applied" : "not applied");
    return lost(err, "the outcome is not known");
}

static void tell_ledger(const node_store *s, const pw_commit_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (items[i].code == PAWL_OK)
            sim_ledger_commit(s->node, &items[i]);
        else
            sim_note("store: i%u seq %llu %s: %.100s", sim_alias(items[i].instance),
                     (unsigned long long)items[i].token + 1, pawl_code_name(items[i].code),
                     items[i].error.message);
}

static pawl_code node_commit(pw_store *base, pw_commit_item *items, size_t count, pawl_error *err)
{
    node_store *s = of(base);
    pawl_code code = before_write(s, "store: before a commit", err);
    if (code != PAWL_OK)
        return code;
    if (sim_fault(SIM_STORE, SIM_STORE_CHANCE, 5)) {
        sim_note("store: no memory for a commit");
        return pw_no_memory(err);
    }
    bool broken = breaks(s);
    bool applied = !broken || sim_chance(SIM_STORE_CHANCE, 500);
    if (sim_settings.plant == SIM_PLANT_FALSE_COMMIT && sim_chance(SIM_STORE_CHANCE, 30)) {
        sim_note("planted: a commit of %zu that did not take place", count);
        return PAWL_OK;
    }
    if (applied) {
        code = s->real->ops->commit(s->real, items, count, err);
        if (code == PAWL_OK)
            tell_ledger(s, items, count);
        sim_out->commits++;
    }
    if (broken && code == PAWL_OK)
        code = broke("a commit", applied, err);
    sim_point("store: after a commit");
    if (sim_chance(SIM_STORE_CHANCE, 100))
        take_time(2 * SIM_MS);
    return code;
}

static pawl_code node_definition_put(pw_store *base, const pw_definition *definition, bool *created,
                                     pawl_error *err)
{
    node_store *s = of(base);
    pawl_code code = before_write(s, "store: before a definition", err);
    if (code != PAWL_OK)
        return code;
    bool broken = breaks(s);
    bool applied = !broken || sim_chance(SIM_STORE_CHANCE, 500);
    if (applied)
        code = s->real->ops->definition_put(s->real, definition, created, err);
    sim_point("store: after a definition");
    return broken && code == PAWL_OK ? broke("a definition", applied, err) : code;
}

static pawl_code node_inbox_put(pw_store *base, const pw_inbox_row *row, pawl_error *err)
{
    node_store *s = of(base);
    pawl_code code = before_write(s, "store: before an inbox row", err);
    if (code != PAWL_OK)
        return code;
    bool broken = breaks(s);
    bool applied = !broken || sim_chance(SIM_STORE_CHANCE, 500);
    if (applied)
        code = s->real->ops->inbox_put(s->real, row, err);
    sim_point("store: after an inbox row");
    return broken && code == PAWL_OK ? broke("an inbox row", applied, err) : code;
}

static pawl_code node_reopen(pw_store *base, pawl_error *err)
{
    node_store *s = of(base);
    sim_point("store: before it is opened again");
    take_time(20 * SIM_MS);
    if (sim_now_ns < s->outage_until_ns || sim_fault(SIM_STORE, SIM_STORE_CHANCE, 100))
        return lost(err, "it cannot be opened");
    s->broken = false;
    sim_note("store: opened again");
    sim_point("store: after it was opened again");
    return PAWL_OK;
}

static void node_close(pw_store *base)
{
    pw_free(of(base));
}

static void node_count(const pw_store *base, pw_store_counts *out)
{
    const node_store *s = (const node_store *)base;
    s->real->ops->count(s->real, out);
}

/* ------------------------------------------------------------------ opening */

static const pw_store_ops node_ops = {
    .close = node_close,
    .reopen = node_reopen,
    .definition_put = node_definition_put,
    .definition_get = node_definition_get,
    .definition_versions = node_definition_versions,
    .commit = node_commit,
    .instance_get = node_instance_get,
    .instance_list = node_instance_list,
    .due = node_due,
    .next_due = node_next_due,
    .steps = node_steps,
    .bookmarks = node_bookmarks,
    .bookmark_by_key = node_bookmark_by_key,
    .calls = node_calls,
    .outbox = node_outbox,
    .faults = node_faults,
    .inbox_put = node_inbox_put,
    .inbox_get = node_inbox_get,
    .inbox_pending = node_inbox_pending,
    .count = node_count,
};

void sim_store_open(void)
{
    pawl_error err;
    pawl_code code = pw_memory_open(&sim_store, &err);
    PW_ASSERT(code == PAWL_OK);
}

pw_store *sim_store_of(sim_node *node)
{
    node_store *s = pw_zalloc(sizeof *s);
    PW_ASSERT(s != NULL);
    s->base.ops = &node_ops;
    s->base.generation = sim_store->generation;
    s->base.path = sim_store->path;
    s->real = sim_store;
    s->node = node;
    return &s->base;
}
