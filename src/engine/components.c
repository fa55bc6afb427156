/* components.c - how the parts of the process are: each background service, the store, its disk; and in one word the whole. */
#include "engine/engine.h"

static pw_value component(const pw_service_state *s, pw_service_health health, pw_arena *arena)
{
    pw_object_builder object = { .arena = arena };
    pw_object_add(&object, PW_LIT("name"), pw_string_ref(pw_str_of(s->name)));
    pw_object_add(&object, PW_LIT("status"), pw_string_ref(pw_str_of(pw_service_health_name(health))));
    pw_show_moment(&object, "lastRun", s->begun_ms);
    pw_show_moment(&object, "lastGood", s->good_ms);
    if (s->error[0])
        pw_object_add(&object, PW_LIT("lastError"), pw_string(arena, pw_str_of(s->error)));
    pw_show_count(&object, "backlog", s->backlog);
    pw_show_moment(&object, "oldest", s->oldest_ms);
    pw_show_count(&object, "rounds", s->rounds);
    pw_show_count(&object, "failedRounds", s->failed_rounds);
    pw_show_count(&object, "items", s->items);
    pw_show_count(&object, "failedItems", s->failed_items);
    pw_show_count(&object, "intervalMs", s->interval_ms);
    return pw_object_end(&object);
}

typedef struct health {
    bool degraded, down;
} health;

/* Of an owner; the services of another process are its own. */
static pw_value components(pawl *p, health *whole, pw_arena *arena)
{
    pw_array_builder list = { .arena = arena };
    for (size_t i = 0; p->mode == PAWL_OWN && i < PW_SERVICE_COUNT; i++) {
        pw_service_state state;
        pw_service_look(&p->services[i], &state);
        const pw_service_health how = pw_service_judge(&state, pw_engine_now(p));
        whole->degraded = whole->degraded || how == PW_SERVICE_FAILING || how == PW_SERVICE_OVERDUE;
        pw_array_add(&list, component(&state, how, arena));
    }
    return pw_array_end(&list);
}

static pw_value store(pawl *p, const pw_store_space *space, health *whole, pw_arena *arena)
{
    pawl_error why = { .code = PAWL_OK };
    pw_object_builder object = { .arena = arena };
    whole->down = pw_engine_degraded(p, &why);
    pw_object_add(&object, PW_LIT("status"), pw_string_ref(whole->down ? PW_LIT("degraded") : PW_LIT("up")));
    if (whole->down)
        pw_object_add(&object, PW_LIT("error"), pw_string(arena, pw_str_of(why.message)));
    pw_show_count(&object, "schema", PW_SCHEMA_VERSION);
    if (space) {
        pw_show_count(&object, "bytes", space->file_bytes);
        pw_show_count(&object, "freeBytes", space->free_bytes);
        pw_show_count(&object, "walBytes", space->wal_bytes);
    }
    return pw_object_end(&object);
}

/* The word is that of who watches it: an owner. */
static pw_value disk(pawl *p, const pw_store_space *space, health *whole, pw_arena *arena)
{
    if (!space || space->disk_free_bytes == UINT64_MAX)
        return (pw_value){ 0 };
    pw_object_builder object = { .arena = arena };
    if (p->mode == PAWL_OWN) {
        const pw_disk_state state = pw_disk_state_of(p);
        whole->degraded = whole->degraded || state != PW_DISK_OK;
        whole->down = whole->down || state == PW_DISK_FULL;
        pw_object_add(&object, PW_LIT("status"), pw_string_ref(pw_str_of(pw_disk_state_name(state))));
    }
    pw_show_count(&object, "freeBytes", space->disk_free_bytes);
    pw_show_count(&object, "bytes", space->disk_bytes);
    return pw_object_end(&object);
}

static pawl_code look(pawl *p, char **out, pw_arena *arena, pawl_error *err)
{
    health whole = { false, false };
    pw_store_space space;
    pw_audit_counts found;
    const bool known = pw_store_space_look(p->store, &space, NULL) == PAWL_OK;
    const pw_value parts = components(p, &whole, arena), of_store = store(p, known ? &space : NULL, &whole, arena),
                   of_disk = disk(p, known ? &space : NULL, &whole, arena);
    pw_auditor_count(p->auditor, &found);
    const bool degraded = whole.degraded || found.errors > 0;
    const pw_member members[] = {
        { PW_LIT("status"), pw_string_ref(whole.down ? PW_LIT("down") : degraded ? PW_LIT("degraded") : PW_LIT("up")) },
        { PW_LIT("components"), parts },
        { PW_LIT("store"), of_store },
        { PW_LIT("disk"), of_disk },
        { PW_LIT("findings"), pw_int((int64_t)(found.errors + found.warnings)) },
    };
    return pw_give_json(out, pw_object_of(arena, members, PW_LENGTH(members)), arena, err);
}

pawl_code pawl_components(pawl *p, char **out, pawl_error *err)
{
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "components: the pawl or out is NULL");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_code code = look(p, out, &arena, err);
    pw_arena_done(&arena);
    return code;
}
