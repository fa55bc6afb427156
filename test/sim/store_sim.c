/* store_sim.c - the store as one node sees it: the real memory store behind a connection that takes
 * time, loses answers and breaks.
 *
 * One memory store is the truth of the run. Each node has a wrapper around it. An operation is a
 * yield point before and after, so that others act in between and the node may die on either side
 * of the commit. After PAWL_IO of a commit everything the node writes fails until it opens the
 * store again, which may fail for a while too (an outage). Every step that really was committed
 * goes to the ledger. */
#include <stdlib.h>
#include "sim.h"
#include "engine/committer.h"
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

static bool is_out(const node_store *s)
{
    return sim_now_ns < s->outage_until_ns && !sim_healed;
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
    if (is_out(s) || sim_fault(SIM_STORE, SIM_STORE_CHANCE, 4)) {
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
/* ---- what is read of a state may be planted */

static char *digits_behind(char *at, const char *name, size_t *count)
{
    char *found = strstr(at, name);
    if (!found)
        return NULL;
    found += strlen(name);
    *count = strspn(found, "0123456789");
    return found;
}

/* As long as it was; zeros at its end are blanks. */
static void put_number(char *at, size_t count, const char *number)
{
    size_t len = strlen(number);
    if (count < len)
        return;
    memcpy(at, number, len);
    memset(at + len, ' ', count - len);
}

/* Every attempt is the first again. */
static void forget_attempts(char *state)
{
    size_t count = 0;
    for (char *at = state; (at = digits_behind(at, "\"n\":", &count)) != NULL;)
        if (strncmp(at + count, ",\"s\":", 5) == 0 && count == 1)
            put_number(at, count, "1"); /* of a task that began; not one of the data */
}

/* What waits for its next attempt (phase 3) has waited long enough. */
static void hasten_attempts(char *state)
{
    size_t count = 0;
    for (char *at = state; (at = strstr(at, "\"p\":3,")) != NULL; at++) {
        char *due = digits_behind(at, "\"d\":", &count);
        if (due && count > 6)
            put_number(due, count, "1");
    }
}

static void forget_warning(char *state)
{
    size_t count = 0;
    char *at = digits_behind(state, "\"lr\":", &count);
    if (at)
        put_number(at, count, "0");
}

static void plant_in(pw_instance_row *row, pw_arena *arena)
{
    void (*plant)(char *state) = sim_settings.plant == SIM_PLANT_LOST_COUNT   ? forget_attempts
                                 : sim_settings.plant == SIM_PLANT_TOO_SOON   ? hasten_attempts
                                 : sim_settings.plant == SIM_PLANT_TOLD_TWICE ? forget_warning
                                                                              : NULL;
    if (!plant || row->state.len == 0)
        return;
    char *copy = sim_copy(row->state);
    plant(copy);
    row->state = pw_arena_str(arena, pw_str_of(copy));
    free(copy);
}

static pawl_code node_instance_get(pw_store *base, pw_str id, bool with_state, pw_instance_row *out,
                                   pw_arena *arena, pawl_error *err)
{
    pawl_code code = before_read(base, "read instance_get", err);
    if (code != PAWL_OK)
        return code;
    code = of(base)->real->ops->instance_get(of(base)->real, id, with_state, out, arena, err);
    if (code == PAWL_OK)
        plant_in(out, arena);
    return after_read(code);
}
READ(instance_list,
     (pw_store * base, const pw_instance_filter *filter, int64_t created_ms, pw_str id,
      uint32_t limit, pw_instance_row **out, size_t *count, pw_arena *arena, pawl_error *err),
     (of(base)->real, filter, created_ms, id, limit, out, count, arena, err))
READ(next_due,
     (pw_store * base, uint64_t partitions, int64_t until_ms, int64_t *out, pawl_error *err),
     (of(base)->real, partitions, until_ms, out, err))
READ(partition_node,
     (pw_store * base, uint32_t partition, pw_str *out, pw_arena *arena, pawl_error *err),
     (of(base)->real, partition, out, arena, err))
READ(steps,
     (pw_store * base, pw_str instance, uint64_t from, uint32_t limit, pw_step_row **out,
      size_t *count, pw_arena *arena, pawl_error *err),
     (of(base)->real, instance, from, limit, out, count, arena, err))
READ(payload_get,
     (pw_store * base, pw_str instance, pw_str digest, pw_str *out, pw_arena *arena,
      pawl_error *err),
     (of(base)->real, instance, digest, out, arena, err))
READ(definition_list,
     (pw_store * base, const pw_definition_filter *filter, const pw_definition *behind,
      uint32_t limit, pw_definition_row **out, size_t *count, pw_arena *arena, pawl_error *err),
     (of(base)->real, filter, behind, limit, out, count, arena, err))
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
READ(call_get,
     (pw_store * base, pw_str instance, pw_str key, pw_call_row *out, pw_arena *arena,
      pawl_error *err),
     (of(base)->real, instance, key, out, arena, err))
READ(incidents,
     (pw_store * base, const pw_incident_filter *filter, const pw_incident_place *behind,
      uint32_t limit, pw_incident_row **out, size_t *count, pw_arena *arena, pawl_error *err),
     (of(base)->real, filter, behind, limit, out, count, arena, err))
READ(incident_get,
     (pw_store * base, pw_str instance, uint64_t step, pw_incident_row *out, pw_arena *arena,
      pawl_error *err),
     (of(base)->real, instance, step, out, arena, err))
READ(incident_count,
     (pw_store * base, const pw_incident_filter *filter, const pw_incident_place *behind,
      uint64_t *out, pawl_error *err),
     (of(base)->real, filter, behind, out, err))
/* What is shown of a plan may be planted. */
static void plant_in_plan(pw_undo_row *rows, size_t *count, bool *more)
{
    for (size_t i = 0; i < *count && sim_settings.plant == SIM_PLANT_UNDO_AGAIN; i++)
        if (rows[i].step.state == PW_UNDO_DONE)
            rows[i].step.state = PW_UNDO_REGISTERED;
    for (size_t i = 0; i < *count / 2 && sim_settings.plant == SIM_PLANT_UNDO_FIRST; i++) {
        uint64_t ordinal = rows[i].step.ordinal, other = rows[*count - 1 - i].step.ordinal;
        pw_undo_row row = rows[i]; /* the order of the numbers stays, and so does what core checks */
        rows[i] = rows[*count - 1 - i];
        rows[*count - 1 - i] = row;
        rows[i].step.ordinal = ordinal;
        rows[*count - 1 - i].step.ordinal = other;
    }
    if (sim_settings.plant == SIM_PLANT_UNDO_ENDS) {
        *count -= *count > 1;
        *more = false;
    }
    for (size_t i = 0; i < *count && sim_settings.plant == SIM_PLANT_UNDO_OTHER; i++)
        rows[i].step.branch = pw_str_of(i % 2 ? "1.0" : "1.1");
}

static pawl_code node_undo(pw_store *base, pw_str instance, const pw_undo_filter *filter,
                           pw_undo_row **out, size_t *count, bool *more, pw_arena *arena,
                           pawl_error *err)
{
    pw_undo_filter seen = *filter;
    if (sim_settings.plant == SIM_PLANT_UNDO_AGAIN && seen.states)
        seen.states |= PW_BIT(PW_UNDO_DONE);
    pawl_code code = before_read(base, "read undo", err);
    if (code == PAWL_OK)
        code = of(base)->real->ops->undo(of(base)->real, instance, &seen, out, count, more, arena, err);
    if (code == PAWL_OK)
        plant_in_plan(*out, count, more);
    return after_read(code);
}
READ(undo_count,
     (pw_store * base, pw_str instance, const pw_undo_filter *filter, uint64_t *out,
      pawl_error *err),
     (of(base)->real, instance, filter, out, err))
READ(inbox_get,
     (pw_store * base, pw_str target, pw_str key, pw_inbox_row *out, pw_arena *arena,
      pawl_error *err),
     (of(base)->real, target, key, out, arena, err))

READ(messages_new,
     (pw_store * base, uint64_t after, uint32_t limit, pw_message_row **out, size_t *count,
      pw_arena *arena, pawl_error *err),
     (of(base)->real, after, limit, out, count, arena, err))
READ(messages_kept,
     (pw_store * base, pw_str type, int64_t now_ms, uint64_t after, uint32_t limit,
      pw_message_row **out, size_t *count, pw_arena *arena, pawl_error *err),
     (of(base)->real, type, now_ms, after, limit, out, count, arena, err))
READ(message_get,
     (pw_store * base, pw_str source, pw_str id, pw_message_row *out, pw_arena *arena,
      pawl_error *err),
     (of(base)->real, source, id, out, arena, err))
READ(matchers,
     (pw_store * base, pw_matcher_row **out, size_t *count, pw_arena *arena, pawl_error *err),
     (of(base)->real, out, count, arena, err))
READ(matcher_count, (pw_store * base, uint64_t *all, uint64_t *complete, pawl_error *err),
     (of(base)->real, all, complete, err))
READ(subscriptions_fed,
     (pw_store * base, uint64_t partitions, const pw_subscription_row *after, uint32_t limit,
      pw_subscription_row **out, size_t *count, pw_arena *arena, pawl_error *err),
     (of(base)->real, partitions, after, limit, out, count, arena, err))
READ(subscriptions,
     (pw_store * base, pw_str instance, pw_str matcher, const pw_subscription_row *after,
      uint32_t limit, pw_subscription_row **out, size_t *count, pw_arena *arena, pawl_error *err),
     (of(base)->real, instance, matcher, after, limit, out, count, arena, err))
READ(deliveries_pending,
     (pw_store * base, uint64_t partitions, pw_str after, uint32_t limit, pw_str **out,
      size_t *count, pw_arena *arena, pawl_error *err),
     (of(base)->real, partitions, after, limit, out, count, arena, err))

static pawl_code node_deliveries(pw_store *base, pw_str instance, uint64_t after, uint32_t limit,
                                 pw_delivery_row **out, size_t *count, pw_arena *arena,
                                 pawl_error *err)
{
    pawl_code code = before_read(base, "read deliveries", err);
    if (code == PAWL_OK)
        code = of(base)->real->ops->deliveries(of(base)->real, instance, after, limit, out, count,
                                               arena, err);
    size_t rows = code == PAWL_OK && sim_settings.plant == SIM_PLANT_OTHER_ORDER ? *count : 0;
    for (size_t i = 0; i < rows / 2; i++) {
        pw_delivery_row row = (*out)[i];
        (*out)[i] = (*out)[rows - 1 - i];
        (*out)[rows - 1 - i] = row;
    }
    return after_read(code);
}

static pawl_code node_due(pw_store *base, uint64_t partitions, int64_t until_ms, int64_t after_ms,
                          pw_str after_id, uint32_t limit, pw_due **out, size_t *count,
                          pw_arena *arena, pawl_error *err)
{
    pawl_code code = before_read(base, "read due", err);
    if (code == PAWL_OK)
        code = of(base)->real->ops->due(of(base)->real, partitions, until_ms, after_ms, after_id,
                                        limit, out, count, arena, err);
    if (code == PAWL_OK && sim_settings.plant == SIM_PLANT_LOST_TIMER) {
        size_t kept = 0;
        for (size_t i = 0; i < *count; i++)
            if ((*out)[i].wake_at == 0)
                (*out)[kept++] = (*out)[i];
        *count = kept;
    }
    return after_read(code);
}

static pawl_code node_inbox_pending(pw_store *base, uint64_t partitions, uint32_t limit,
                                    pw_inbox_row **out, size_t *count, pw_arena *arena,
                                    pawl_error *err)
{
    pawl_code code = before_read(base, "read inbox_pending", err);
    if (code == PAWL_OK)
        code = of(base)->real->ops->inbox_pending(of(base)->real, partitions, limit, out, count,
                                                  arena, err);
    if (code == PAWL_OK && sim_settings.plant == SIM_PLANT_LOST_INBOX)
        *count = 0;
    return after_read(code);
}

/* ------------------------------------------------------------------ writes */

static pawl_code before_write(node_store *s, const char *what, pawl_error *err)
{
    sim_point(what);
    take_time(5 * SIM_MS);
    if (sim_fault(SIM_PAUSES, SIM_STORE_CHANCE, 15)) /* what it writes was decided long ago */
        sim_stand_still(what);
    sim_point(what);
    return s->broken || is_out(s) ? lost(err, "it was not opened again") : PAWL_OK;
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

static void check_epoch(const node_store *s, const pw_commit_item *item);

static void tell_ledger(const node_store *s, const pw_commit_item *items, size_t count,
                        const uint64_t *overtaken)
{
    for (size_t i = 0; i < count; i++)
        if (items[i].code == PAWL_OK) {
            check_epoch(s, &items[i]);
            sim_ledger_commit(&items[i]);
            sim_messages_taken(&items[i], overtaken[i]);
        } else {
            if (items[i].code == PAWL_CORRUPT || items[i].code == PAWL_INVALID)
                sim_violation("i%u: the store refuses step %llu: %s", sim_alias(items[i].instance),
                              (unsigned long long)items[i].token + 1, items[i].error.message);
            sim_note("store: i%u seq %llu %s: %.100s", sim_alias(items[i].instance),
                     (unsigned long long)items[i].token + 1, pawl_code_name(items[i].code),
                     items[i].error.message);
        }
}

static pawl_code commit_for_real(node_store *s, pw_commit_item *items, size_t count,
                                 pawl_error *err)
{
    uint64_t epochs[PW_PARTITIONS];
    bool stale = sim_settings.plant == SIM_PLANT_STALE_EPOCH;
    for (size_t i = 0; stale && i < count && count <= PW_LENGTH(epochs); i++) {
        epochs[i] = items[i].epoch;
        items[i].epoch = 0; /* not looked at */
    }
    pw_transition without[PW_PARTITIONS]; /* of the first items: enough to be found */
    bool lose_fault = sim_settings.plant == SIM_PLANT_LOST_FAULT;
    bool lose_undo = sim_settings.plant == SIM_PLANT_LOST_UNDO, keep_undo = sim_settings.plant == SIM_PLANT_UNDO_KEPT;
    bool lose = sim_settings.plant == SIM_PLANT_LOST_ROW || lose_fault || lose_undo || keep_undo;
    const pw_transition *whole[PW_PARTITIONS];
    for (size_t i = 0; lose && i < count && i < PW_PARTITIONS; i++) {
        without[i] = *(whole[i] = items[i].transition);
        if (lose_fault)
            without[i].fault = NULL;
        else if (lose_undo)
            without[i].undo_count = 0;
        else if (keep_undo)
            without[i].undo_change_count = 0;
        else
            without[i].message_count = 0;
        items[i].transition = &without[i];
    }
    s->real->sinks = s->base.sinks; /* which the node has set up */
    pawl_code code = s->real->ops->commit(s->real, items, count, err);
    s->real->sinks = NULL;
    for (size_t i = 0; lose && i < count && i < PW_PARTITIONS; i++)
        items[i].transition = whole[i];
    for (size_t i = 0; stale && i < count && count <= PW_LENGTH(epochs); i++)
        items[i].epoch = epochs[i];
    return code;
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
        uint64_t overtaken[PW_BATCH_MAX];
        PW_ASSERT(count <= PW_BATCH_MAX);
        for (size_t i = 0; i < count; i++)
            overtaken[i] = sim_message_overtaken(&items[i]);
        code = commit_for_real(s, items, count, err);
        if (code == PAWL_OK)
            tell_ledger(s, items, count, overtaken);
        sim_out->commits++;
    }
    if (broken && code == PAWL_OK)
        code = broke("a commit", applied, err);
    sim_point("store: after a commit");
    if (sim_chance(SIM_STORE_CHANCE, 100))
        take_time(2 * SIM_MS);
    return code;
}

static pawl_code node_definition_status(pw_store *base, pw_str namespace_, pw_str name,
                                        pw_str version, pw_definition_status status,
                                        pawl_error *err)
{
    node_store *s = of(base);
    pawl_code code = before_write(s, "store: before a status", err);
    return code == PAWL_OK
               ? s->real->ops->definition_status(s->real, namespace_, name, version, status, err)
               : code;
}

/* A write whose answer may be lost, with the write or without it. `then`: when it took place. */
#define WRITE(name, what, parameters, arguments) WRITE_THEN(name, what, parameters, arguments, (void)0)
#define WRITE_THEN(name, what, parameters, arguments, then)                                        \
    static pawl_code node_##name parameters                                                        \
    {                                                                                              \
        node_store *s = of(base);                                                                  \
        pawl_code code = before_write(s, "store: before " what, err);                              \
        if (code != PAWL_OK)                                                                       \
            return code;                                                                           \
        bool broken = breaks(s);                                                                   \
        bool applied = !broken || sim_chance(SIM_STORE_CHANCE, 500);                               \
        if (applied)                                                                               \
            code = s->real->ops->name arguments;                                                   \
        if (applied && code == PAWL_OK)                                                            \
            then;                                                                                  \
        sim_point("store: after " what);                                                           \
        return broken && code == PAWL_OK ? broke(what, applied, err) : code;                       \
    }

static pawl_code node_audit(pw_store *base, const pw_audit_look *look, pw_audit_seen **out, size_t *count, pw_arena *arena,
                            pawl_error *err)
{
    node_store *s = of(base);
    if (is_out(s) || sim_fault(SIM_STORE, SIM_STORE_CHANCE, 20))
        return lost(err, "what must never be");
    pawl_code code = s->real->ops->audit(s->real, look, out, count, arena, err);
    if (code == PAWL_OK && sim_settings.plant == SIM_PLANT_LOST_TIMER)
        *count = 0; /* who judges them would bring them back to memory, and so wake them */
    return code;
}

/* Of breakers: nobody else runs meanwhile, for who asks holds a lock. */
static pawl_code node_breakers(pw_store *base, pw_breaker_record **out, size_t *count, pw_arena *arena, pawl_error *err)
{
    node_store *s = of(base);
    if (is_out(s) || sim_fault(SIM_STORE, SIM_STORE_CHANCE, 20))
        return lost(err, "breakers");
    return s->real->ops->breakers(s->real, out, count, arena, err);
}

static pawl_code node_breaker_get(pw_store *base, pw_str service, pw_breaker_record *out, bool *found, pw_arena *arena,
                                  pawl_error *err)
{
    node_store *s = of(base);
    if (is_out(s) || sim_fault(SIM_STORE, SIM_STORE_CHANCE, 20))
        return lost(err, "a breaker");
    return s->real->ops->breaker_get(s->real, service, out, found, arena, err);
}

static pawl_code node_breaker_set(pw_store *base, const pw_breaker_record *record, bool *won, pawl_error *err)
{
    node_store *s = of(base);
    if (s->broken)
        return lost(err, "it is to be opened again");
    bool fails = sim_fault(SIM_STORE, SIM_STORE_CHANCE, 20), applied = !fails || sim_chance(SIM_STORE_CHANCE, 500);
    pawl_code code = applied ? s->real->ops->breaker_set(s->real, record, won, err) : PAWL_OK;
    if (applied && code == PAWL_OK && *won)
        sim_note("breaker of " PW_FMT " is %s, %s, epoch %llu", PW_ARG(record->service),
                 pw_breaker_state_name(record->state), pw_breaker_force_name(record->forced),
                 (unsigned long long)record->epoch + 1);
    s->broken = s->broken || fails;
    return fails ? lost(err, "the outcome of a breaker is not known") : code;
}

/* Of bulk operations: who asks holds nothing. */
WRITE(bulk_set, "a bulk operation",
      (pw_store * base, const pw_bulk *bulk, const pw_bulk_failure *failures, size_t count, uint64_t first, bool *won,
       pawl_error *err),
      (s->real, bulk, failures, count, first, won, err))
READ(bulk_get,
     (pw_store * base, pw_str id, pw_bulk *out, pw_bulk_failure **failures, size_t *count, pw_arena *arena,
      pawl_error *err),
     (of(base)->real, id, out, failures, count, arena, err))
READ(bulks,
     (pw_store * base, bool at_work, int64_t created_ms, pw_str id, uint32_t limit, pw_bulk **out, size_t *count,
      pw_arena *arena, pawl_error *err),
     (of(base)->real, at_work, created_ms, id, limit, out, count, arena, err))
WRITE(definition_put, "a definition",
      (pw_store * base, const pw_definition *definition, bool *created, pawl_error *err),
      (s->real, definition, created, err))
WRITE(inbox_put, "an inbox row", (pw_store * base, const pw_inbox_row *row, pawl_error *err),
      (s->real, row, err))
static pawl_code put_for_real(pw_store *real, pw_message_row *rows, size_t count, pawl_error *err)
{
    if (sim_settings.plant != SIM_PLANT_LOST_MESSAGE || !sim_chance(SIM_STORE_CHANCE, 200)) {
        pawl_code code = real->ops->messages_put(real, rows, count, err);
        if (code == PAWL_OK)
            sim_messages_put(rows, count);
        return code;
    }
    sim_note("planted: %zu messages that are not stored", count);
    for (size_t i = 0; i < count; i++) {
        rows[i].number = 1000000 + i;
        rows[i].state = PW_MESSAGE_KEPT;
    }
    return PAWL_OK;
}

static pawl_code node_messages_put(pw_store *base, pw_message_row *rows, size_t count,
                                   pawl_error *err)
{
    node_store *s = of(base);
    pawl_code code = before_write(s, "store: before messages", err);
    if (code != PAWL_OK)
        return code;
    bool broken = breaks(s);
    bool applied = !broken || sim_chance(SIM_STORE_CHANCE, 500);
    if (applied)
        code = put_for_real(s->real, rows, count, err);
    sim_point("store: after messages");
    return broken && code == PAWL_OK ? broke("messages", applied, err) : code;
}

WRITE_THEN(messages_route, "a routing",
      (pw_store * base, uint64_t matchers, pw_message_route *routes, size_t count, int64_t now_ms,
       pw_delivery_target **targets, size_t *target_count, pw_arena *arena, pawl_error *err),
      (s->real, matchers, routes, count, now_ms, targets, target_count, arena, err),
      sim_messages_routed(routes, count))
WRITE(message_keys_put, "keys of messages",
      (pw_store * base, pw_str matcher, const pw_message_key *keys, size_t count, bool complete,
       pawl_error *err),
      (s->real, matcher, keys, count, complete, err))
WRITE(messages_claim, "a claim",
      (pw_store * base, pw_str instance, uint64_t visit, pw_str hash, uint32_t most, int64_t now_ms,
       uint32_t *claimed, pawl_error *err),
      (s->real, instance, visit, hash, most, now_ms, claimed, err))
WRITE_THEN(deliveries_give_back, "messages given back",
           (pw_store * base, const pw_delivery_back *rows, size_t count, pawl_error *err),
           (s->real, rows, count, err), sim_messages_given_back(rows, count))
WRITE(messages_expire, "an expiry",
      (pw_store * base, int64_t now_ms, uint32_t most, uint32_t *deleted, pawl_error *err),
      (s->real, now_ms, most, deleted, err))

READ(instance_count,
     (pw_store * base, const pw_instance_filter *filter, uint64_t *counts, pawl_error *err),
     (of(base)->real, filter, counts, err))
WRITE(instance_delete, "a deletion", (pw_store * base, pw_str id, uint64_t token, pawl_error *err),
      (s->real, id, token, err))
READ(open_bookmarks,
     (pw_store * base, const pw_bookmark_filter *filter, const pw_open_place *behind,
      const pw_str *people, size_t people_count, uint32_t limit, pw_open_bookmark **out,
      size_t *count, pw_arena *arena, pawl_error *err),
     (of(base)->real, filter, behind, people, people_count, limit, out, count, arena, err))
WRITE(answers_expire, "answers expire",
      (pw_store * base, int64_t before_ms, uint32_t most, uint32_t *deleted, pawl_error *err),
      (s->real, before_ms, most, deleted, err))
WRITE(principal_put, "an identity is put",
      (pw_store * base, const pw_principal *principal, pawl_error *err),
      (s->real, principal, err))
WRITE(principal_revoke, "an identity is revoked",
      (pw_store * base, pw_str id, pw_str by, int64_t now_ms, pawl_error *err),
      (s->real, id, by, now_ms, err))
READ(principal_get,
     (pw_store * base, pw_str digest, pw_principal *out, pw_arena *arena, pawl_error *err),
     (of(base)->real, digest, out, arena, err))
READ(principals,
     (pw_store * base, pw_principal **out, size_t *count, pw_arena *arena, pawl_error *err),
     (of(base)->real, out, count, arena, err))
WRITE(request_put, "a request",
      (pw_store * base, pw_str actor, pw_str key, pw_str digest, int64_t now_ms, bool *seen,
       pawl_error *err),
      (s->real, actor, key, digest, now_ms, seen, err))
WRITE(requests_expire, "requests expire",
      (pw_store * base, int64_t before_ms, uint32_t most, uint32_t *deleted, pawl_error *err),
      (s->real, before_ms, most, deleted, err))

/* The ledger hears of what can never begin. */
static pawl_code node_inbox_return(pw_store *base, pw_str target, pw_str key,
                                   const pw_inbox_row *reply, pawl_error *err)
{
    node_store *s = of(base);
    pawl_code code = before_write(s, "store: before a row is returned", err);
    if (code != PAWL_OK)
        return code;
    bool broken = breaks(s);
    bool applied = !broken || sim_chance(SIM_STORE_CHANCE, 500);
    if (applied)
        code = s->real->ops->inbox_return(s->real, target, key, reply, err);
    if (applied && code == PAWL_OK)
        sim_ledger_returned(target, key);
    sim_point("store: after a row is returned");
    return broken && code == PAWL_OK ? broke("the return of a row", applied, err) : code;
}

/* ------------------------------------------------------------------ leases
 *
 * Who has which partition is kept here a second time, as it was told: a commit under an epoch that
 * is not the node's is a violation, whatever the store says to it. */

static struct holder {
    const sim_node *node;
    uint32_t life;
    uint64_t epoch;
} holders[PW_PARTITIONS];

static void note_partitions(const node_store *s, const pw_partitions *p, const char *what)
{
    for (uint32_t i = 0; i < PW_PARTITIONS; i++) {
        struct holder *h = &holders[i];
        bool held = p->held >> i & 1;
        bool same = h->node == s->node && h->life == s->node->life;
        if (held && !same && p->epochs[i] <= h->epoch)
            sim_violation("partition %u goes to node %u under epoch %llu, and had %llu", i,
                          s->node->number, (unsigned long long)p->epochs[i],
                          (unsigned long long)h->epoch);
        if (held)
            *h = (struct holder){ s->node, s->node->life, p->epochs[i] };
        else if (same)
            h->node = NULL;
    }
    sim_note("%s: held %016llx free %016llx of %u nodes", what, (unsigned long long)p->held,
             (unsigned long long)p->free, p->nodes);
}

static void check_epoch(const node_store *s, const pw_commit_item *item)
{
    uint32_t partition = pw_store_partition(item->instance);
    const struct holder *h = &holders[partition];
    if (h->node != s->node || h->life != s->node->life || h->epoch != item->epoch)
        sim_violation(
            "i%u: committed under epoch %llu of partition %u, which is held under %llu by "
            "%s",
            sim_alias(item->instance), (unsigned long long)item->epoch, partition,
            (unsigned long long)h->epoch,
            !h->node             ? "nobody"
            : h->node == s->node ? "it"
                                 : "another node");
}

/* Of beats, takes and gives; *applied: it takes place. */
static pawl_code before_lease(node_store *s, const char *what, bool *applied, pawl_error *err)
{
    sim_point(what);
    take_time(5 * SIM_MS);
    *applied = true;
    if (is_out(s)) {
        *applied = false;
        return lost(err, what);
    }
    if (!sim_fault(SIM_STORE, SIM_STORE_CHANCE, 30))
        return PAWL_OK;
    *applied = sim_chance(SIM_STORE_CHANCE, 500);
    return broke(what, *applied, err);
}

static bool node_exclusive(const pw_store *base)
{
    const node_store *s = (const node_store *)base;
    return s->real->ops->exclusive(s->real);
}

static pawl_code node_beat(pw_store *base, pw_str node, uint64_t lease_ms, pw_partitions *out,
                           pawl_error *err)
{
    node_store *s = of(base);
    bool applied = true;
    pawl_code failed = before_lease(s, "beat", &applied, err);
    pawl_code code = applied ? s->real->ops->node_beat(s->real, node, lease_ms, out, err) : PAWL_OK;
    if (applied && code == PAWL_OK)
        note_partitions(s, out, "beat");
    sim_point("store: after a beat");
    return failed != PAWL_OK ? failed : code;
}

static pawl_code node_take(pw_store *base, pw_str node, uint64_t wanted, pw_partitions *out,
                           pawl_error *err)
{
    node_store *s = of(base);
    bool applied = true;
    pawl_code failed = before_lease(s, "take", &applied, err);
    pawl_code code =
        applied ? s->real->ops->partitions_take(s->real, node, wanted, out, err) : PAWL_OK;
    if (applied && code == PAWL_OK)
        note_partitions(s, out, "take");
    sim_point("store: after a take");
    return failed != PAWL_OK ? failed : code;
}

static pawl_code node_give(pw_store *base, pw_str node, uint64_t given, bool leaving,
                           pawl_error *err)
{
    node_store *s = of(base);
    bool applied = true;
    pawl_code failed = before_lease(s, leaving ? "leave" : "give", &applied, err);
    pawl_code code =
        applied ? s->real->ops->partitions_give(s->real, node, given, leaving, err) : PAWL_OK;
    for (uint32_t i = 0; i < PW_PARTITIONS && applied && code == PAWL_OK; i++)
        if ((leaving || given >> i & 1) && holders[i].node == s->node &&
            holders[i].life == s->node->life)
            holders[i].node = NULL;
    if (applied)
        sim_note("%s: %016llx", leaving ? "leaves" : "gives", (unsigned long long)given);
    sim_point("store: after a give");
    return failed != PAWL_OK ? failed : code;
}

static pawl_code node_reopen(pw_store *base, pawl_error *err)
{
    node_store *s = of(base);
    sim_point("store: before it is opened again");
    take_time(20 * SIM_MS);
    if (is_out(s) || sim_fault(SIM_STORE, SIM_STORE_CHANCE, 100))
        return lost(err, "it cannot be opened");
    s->broken = false;
    sim_note("store: opened again");
    sim_point("store: after it was opened again");
    return PAWL_OK;
}

static void node_close(pw_store *base)
{
    node_store *s = of(base);
    if (s->real != sim_store)
        s->real->ops->close(s->real);
    pw_free(s);
}

static void node_count(const pw_store *base, pw_store_counts *out)
{
    const node_store *s = (const node_store *)base;
    s->real->ops->count(s->real, out);
}

WRITE(clean, "a cleanup", (pw_store * base, pw_clean *clean, pawl_error *err), (s->real, clean, err))
WRITE(vacuum, "room given back",
      (pw_store * base, uint32_t pages, uint64_t *given, uint64_t *left, pawl_error *err),
      (s->real, pages, given, left, err))

static pawl_code node_space(pw_store *base, pw_store_space *out, pawl_error *err)
{
    pawl_code code = before_read(base, "read space", err);
    return code == PAWL_OK ? of(base)->real->ops->space(of(base)->real, out, err) : code;
}

static void node_pool(pw_store *base, pw_store_pool *out)
{
    node_store *s = of(base);
    s->real->ops->pool(s->real, out);
}

static pawl_code node_publish_due(pw_store *base, pw_str sink, uint64_t partitions, int64_t now_ms,
                                  uint32_t limit, pw_publish_row **out, size_t *count,
                                  pw_arena *arena, pawl_error *err)
{
    pawl_code code = before_read(base, "read events", err);
    if (code == PAWL_OK)
        code = of(base)->real->ops->publish_due(of(base)->real, sink, partitions, now_ms, limit,
                                                out, count, arena, err);
    for (size_t i = 0; code == PAWL_OK && sim_settings.plant == SIM_PLANT_EVENT_FIRST && i < *count / 2; i++) {
        pw_publish_row row = (*out)[i];
        (*out)[i] = (*out)[*count - 1 - i];
        (*out)[*count - 1 - i] = row;
    }
    return after_read(code);
}

READ(publish_next,
     (pw_store * base, pw_str sink, uint64_t partitions, int64_t now_ms, int64_t *out,
      pawl_error *err),
     (of(base)->real, sink, partitions, now_ms, out, err))
READ(publish_count,
     (pw_store * base, pw_publish_counts **out, size_t *count, pw_arena *arena, pawl_error *err),
     (of(base)->real, out, count, arena, err))
/* What is planted is written as it is not. */
static void plant_ends(pw_publish_end *ends, size_t count)
{
    for (size_t i = 0; i < count && sim_settings.plant == SIM_PLANT_EVENT_DONE; i++)
        ends[i].state = PW_PUBLISH_DONE;
}

WRITE(publish_end, "ends of publishing",
      (pw_store * base, pw_publish_end *ends, size_t count, int64_t now_ms, pawl_error *err),
      ((plant_ends(ends, count), s->real), ends, count, now_ms, err))

/* ------------------------------------------------------------------ opening */

static const pw_store_ops node_ops = {
    .close = node_close,
    .reopen = node_reopen,
    .definition_put = node_definition_put,
    .definition_get = node_definition_get,
    .definition_versions = node_definition_versions,
    .definition_status = node_definition_status,
    .definition_list = node_definition_list,
    .exclusive = node_exclusive,
    .node_beat = node_beat,
    .partitions_take = node_take,
    .partitions_give = node_give,
    .partition_node = node_partition_node,
    .commit = node_commit,
    .instance_get = node_instance_get,
    .instance_list = node_instance_list,
    .instance_count = node_instance_count,
    .instance_delete = node_instance_delete,
    .open_bookmarks = node_open_bookmarks,
    .answers_expire = node_answers_expire,
    .principal_put = node_principal_put,
    .principal_revoke = node_principal_revoke,
    .principal_get = node_principal_get,
    .principals = node_principals,
    .request_put = node_request_put,
    .requests_expire = node_requests_expire,
    .due = node_due,
    .next_due = node_next_due,
    .steps = node_steps,
    .payload_get = node_payload_get,
    .bookmarks = node_bookmarks,
    .bookmark_by_key = node_bookmark_by_key,
    .calls = node_calls,
    .outbox = node_outbox,
    .call_get = node_call_get,
    .faults = node_faults,
    .incidents = node_incidents,
    .incident_get = node_incident_get,
    .incident_count = node_incident_count,
    .undo = node_undo,
    .undo_count = node_undo_count,
    .breakers = node_breakers,
    .audit = node_audit,
    .breaker_get = node_breaker_get,
    .breaker_set = node_breaker_set,
    .bulk_set = node_bulk_set,
    .bulk_get = node_bulk_get,
    .bulks = node_bulks,
    .inbox_put = node_inbox_put,
    .inbox_get = node_inbox_get,
    .inbox_pending = node_inbox_pending,
    .inbox_return = node_inbox_return,
    .messages_put = node_messages_put,
    .messages_new = node_messages_new,
    .messages_kept = node_messages_kept,
    .message_get = node_message_get,
    .matchers = node_matchers,
    .matcher_count = node_matcher_count,
    .messages_route = node_messages_route,
    .message_keys_put = node_message_keys_put,
    .messages_claim = node_messages_claim,
    .subscriptions_fed = node_subscriptions_fed,
    .subscriptions = node_subscriptions,
    .deliveries = node_deliveries,
    .deliveries_pending = node_deliveries_pending,
    .deliveries_give_back = node_deliveries_give_back,
    .messages_expire = node_messages_expire,
    .count = node_count,
    .publish_due = node_publish_due,
    .publish_next = node_publish_next,
    .publish_end = node_publish_end,
    .publish_count = node_publish_count,
    .clean = node_clean,
    .vacuum = node_vacuum,
    .space = node_space,
    .pool = node_pool,
};

static int64_t store_clock(void *context)
{
    (void)context;
    return sim_now_ms();
}

/* One node alone may be the owner of its store, as with SQLite. */
static bool alone;

void sim_store_open(void)
{
    pawl_error err;
    pawl_code code = pw_memory_open(&sim_store, &err);
    PW_ASSERT(code == PAWL_OK);
    pw_memory_set_clock(sim_store, store_clock, NULL);
    alone = sim_settings.nodes == 1 && sim_chance(SIM_CASE, 500);
}

pw_store *sim_store_of(sim_node *node)
{
    pawl_error err;
    node_store *s = pw_zalloc(sizeof *s);
    PW_ASSERT(s != NULL);
    s->real = sim_store;
    pawl_code code = alone ? PAWL_OK : pw_memory_share(sim_store, &s->real, &err);
    PW_ASSERT(code == PAWL_OK);
    s->base.ops = &node_ops;
    s->base.generation = sim_store->generation;
    s->base.secret = sim_store->secret;
    s->base.path = sim_store->path;
    s->node = node;
    return &s->base;
}
