/* effects.c - what an instance has done outside, out of its log: for who goes back, or starts another from there, since
 * nothing of it is undone by that.
 *
 * Entries are read a page at a time. What became of something is told by what comes behind it; of a call its own row
 * knows better, for that also has an outcome that nobody knows. */
#include "engine/engine.h"

enum { PAGE = 64 };

typedef enum effect_state { PENDING, DONE, FAILED, UNKNOWN, ABANDONED } effect_state;

static const char *const state_names[] = { "pending", "done", "failed", "unknown", "abandoned" };

typedef struct effect {
    uint64_t step, visit;
    int64_t at_ms;
    const char *kind;
    pw_str task, what, key;
    effect_state state;
} effect;

typedef struct scan {
    pawl *p;
    pw_str instance;
    pw_arena *arena; /* of the effects */
    effect *items;
    size_t count, size;
    uint32_t most;
    uint64_t from, visit; /* as of pw_effects_of */
    bool begun;           /* the task of `visit` has */
    uint64_t full;        /* the step behind which no more are taken; 0: they are */
    bool more;            /* there are */
} scan;

static bool is_of(pw_value entry, const char *type)
{
    return pw_str_is(pw_get_text(entry, "type"), type);
}

static bool has(pw_value entry, const char *name)
{
    return !pw_is(pw_get_lit(entry, name), PW_NONE);
}

/* False: it is no effect. */
static bool read_entry(effect *out, pw_value entry)
{
    if (is_of(entry, "task.started") && has(entry, "endpoint")) {
        out->kind = "call";
        out->what = pw_get_text(entry, "endpoint");
        out->key = pw_get_text(entry, "idempotencyKey");
    } else if (is_of(entry, "task.started") && has(entry, "function") && has(entry, "input")) {
        out->kind = "job";
        out->what = pw_get_text(entry, "function");
    } else if (is_of(entry, "task.started") && has(entry, "child")) {
        out->kind = "child";
        out->what = pw_get_text(entry, "child");
    } else if (is_of(entry, "schedule.fired")) {
        out->kind = "child";
        out->what = pw_get_text(entry, "instance");
        out->state = DONE;
    } else if (is_of(entry, "event.emitted")) {
        out->kind = "event";
        out->what = pw_get_text(pw_get_lit(entry, "event"), "type");
        out->state = DONE;
    } else if (is_of(entry, "bookmark.consumed")) {
        out->kind = "user-action";
        out->what = pw_get_text(entry, "key");
        out->state = DONE;
    } else if (is_of(entry, "message.consumed")) {
        out->kind = "message";
        out->what = pw_get_text(pw_get_lit(entry, "event"), "type");
        out->state = DONE;
    } else if (is_of(entry, "compensation.started")) {
        out->kind = "compensation";
        out->what = pw_get_text(entry, "trigger");
        out->state = DONE;
    } else {
        return false;
    }
    return true;
}

static pawl_code add(scan *s, const effect *from, pawl_error *err)
{
    if (s->count == s->size) {
        size_t size = s->size ? s->size * 2 : 16;
        effect *items = pw_arena_grow(s->arena, s->items, s->size * sizeof *items, size * sizeof *items);
        if (!items)
            return pw_no_memory(err);
        s->items = items;
        s->size = size;
    }
    effect *new = &s->items[s->count++];
    *new = *from;
    new->task = pw_arena_str(s->arena, from->task);
    new->what = pw_arena_str(s->arena, from->what);
    new->key = pw_arena_str(s->arena, from->key);
    return s->arena->failed ? pw_no_memory(err) : PAWL_OK;
}

/* What has become of those of this visit. */
static void settle(scan *s, uint64_t visit, pw_value entry)
{
    effect_state state = is_of(entry, "task.completed")   ? DONE
                         : is_of(entry, "task.faulted")   ? FAILED
                         : is_of(entry, "task.cancelled") ? ABANDONED
                                                          : PENDING;
    for (size_t i = s->count; state != PENDING && i-- > 0;)
        if (s->items[i].visit == visit && s->items[i].state == PENDING)
            s->items[i].state = state;
}

static pawl_code read_step(scan *s, const pw_step_row *row, pw_arena *arena, pawl_error *err)
{
    pw_value entries;
    const pw_payload_source payloads = pw_store_payloads(s->p->store, s->instance);
    pawl_code code = row->entries.len ? pw_entries_parse(&entries, row->entries, &payloads, arena, err) : PAWL_OK;
    if (code != PAWL_OK)
        return pw_error_context(err, PAWL_CORRUPT, "step %llu of the execution log", (unsigned long long)row->sequence);
    for (uint32_t i = 0; row->entries.len && i < entries.count && code == PAWL_OK; i++) {
        pw_value entry = pw_item(entries, i);
        effect found = { .step = row->sequence, .at_ms = row->at_ms, .task = pw_get_text(entry, "task") };
        int64_t visit = 0;
        if (pw_integer(pw_get_lit(entry, "visit"), &visit) && visit > 0)
            found.visit = (uint64_t)visit;
        settle(s, found.visit, entry);
        s->begun = s->begun || found.visit == s->visit || row->sequence > s->from;
        if (!s->begun || !read_entry(&found, entry))
            continue;
        s->more = s->more || s->full;
        if (!s->full)
            code = add(s, &found, err);
    }
    if (!s->full && s->count >= s->most)
        s->full = row->sequence;
    return code;
}

static pawl_code scan_log(scan *s, pawl_error *err)
{
    pawl_code code = PAWL_OK;
    uint64_t from = s->from;
    pw_arena page;
    pw_arena_init(&page, 0);
    for (size_t count = 1; count > 0 && code == PAWL_OK;) {
        pw_step_row *rows = NULL;
        pw_arena_reset(&page);
        code = pw_store_steps(s->p->store, s->instance, from, PAGE, &rows, &count, &page, err);
        for (size_t i = 0; i < count && code == PAWL_OK; i++) {
            code = read_step(s, &rows[i], &page, err);
            from = rows[i].sequence + 1;
        }
    }
    pw_arena_done(&page);
    return code;
}

/* The row of a call knows best. */
static pawl_code look_at_call(scan *s, effect *call, pawl_error *err)
{
    static const effect_state states[] = { [PW_CALL_PENDING] = PENDING,     [PW_CALL_COMPLETED] = DONE,
                                           [PW_CALL_FAILED] = FAILED,       [PW_CALL_TIMED_OUT] = UNKNOWN,
                                           [PW_CALL_ABANDONED] = ABANDONED, [PW_CALL_UNKNOWN] = UNKNOWN };
    pw_call_row row;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_code code = pw_store_call_get(s->p->store, s->instance, call->key, &row, &arena, err);
    if (code == PAWL_OK && (unsigned)row.state < PW_LENGTH(states))
        call->state = states[row.state];
    pw_arena_done(&arena);
    return code == PAWL_NOT_FOUND ? PAWL_OK : code;
}

static pw_value value_of(const effect *e, pw_arena *arena)
{
    const pw_member members[] = {
        { PW_LIT("step"), pw_int((int64_t)e->step) },
        { PW_LIT("at"), pw_string_ref(pw_moment_text(arena, e->at_ms)) },
        { PW_LIT("kind"), pw_string_ref(pw_str_of(e->kind)) },
        { PW_LIT("task"), e->task.len ? pw_string_ref(e->task) : (pw_value){ 0 } },
        { PW_LIT("visit"), e->visit ? pw_int((int64_t)e->visit) : (pw_value){ 0 } },
        { PW_LIT("what"), pw_string_ref(e->what) },
        { PW_LIT("state"), pw_string_ref(pw_str_of(state_names[e->state])) },
        { PW_LIT("idempotencyKey"), e->key.len ? pw_string_ref(e->key) : (pw_value){ 0 } },
    };
    return pw_object_of(arena, members, PW_LENGTH(members));
}

pawl_code pw_effects_of(pawl *p, pw_str instance, uint64_t from, uint64_t visit, uint32_t most, pw_value *out,
                        uint64_t *next, pw_arena *arena, pawl_error *err)
{
    scan s = { .p = p, .instance = instance, .arena = arena, .most = most, .from = from, .visit = visit, .begun = !visit };
    pw_array_builder effects = { .arena = arena };
    pawl_code code = scan_log(&s, err);
    for (size_t i = 0; i < s.count && code == PAWL_OK; i++) {
        if (s.items[i].key.len)
            code = look_at_call(&s, &s.items[i], err);
        pw_array_add(&effects, value_of(&s.items[i], arena));
    }
    *out = pw_array_end(&effects);
    *next = s.more ? s.full : 0;
    return code == PAWL_OK && arena->failed ? pw_no_memory(err) : code;
}

pawl_code pawl_effects(pawl *p, const char *id, uint64_t behind, uint32_t limit, char **out, pawl_error *err)
{
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "effects: the pawl or out is NULL");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_str instance;
    pw_instance_row row;
    pw_value effects = { 0 };
    uint32_t most = 0;
    uint64_t next = 0;
    pawl_code code = pw_id_check(&instance, id, err);
    if (code == PAWL_OK)
        code = pw_page_check(&most, limit, "effects: limit", err);
    if (code == PAWL_OK)
        code = pw_store_instance_get(p->store, instance, false, &row, &arena, err);
    code = pw_because(err, code, PAWL_NOT_FOUND, PAWL_REASON_NO_INSTANCE);
    if (code == PAWL_OK)
        code = pw_effects_of(p, instance, behind < UINT64_MAX ? behind + 1 : behind, 0, most, &effects, &next, &arena, err);
    const pw_member members[] = { { PW_LIT("effects"), effects },
                                  { PW_LIT("next"), next ? pw_int((int64_t)next) : (pw_value){ 0 } } };
    if (code == PAWL_OK)
        code = pw_give_json(out, pw_object_of(&arena, members, PW_LENGTH(members)), &arena, err);
    pw_arena_done(&arena);
    return code;
}
