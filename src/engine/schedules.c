/* schedules.c - one living schedule for each definition that has one, and what they look like.
 *
 * The truth is in the store: the newest published version, and the instances that are schedules of
 * its name. So nothing is lost if the process dies between the commit of a deployment and the start
 * of its schedule: the next open looks at every name. The id of a schedule is made of the one
 * before it: whoever starts it, twice or on two nodes, starts the same.
 *
 * A schedule that a person has cancelled, or that has faulted, is not started again for the same
 * version. One that has completed has handed over: its successor is there, or its row is. */
#include "engine/engine.h"
#include "base/cron.h"
#include "base/json.h"

/* Who cancels schedules of other versions. */
#define ENGINE_ACTOR PW_LIT("pawl")

enum { PAGE = 100 };

struct pw_schedules {
    pawl *engine;
    pthread_mutex_t
        lock;           /* one name at a time: two that look and act at once would both start one */
    atomic_bool wanted; /* a check of all names */
};

pawl_code pw_schedules_new(pw_schedules **out, pawl *p, pawl_error *err)
{
    pw_schedules *schedules = pw_zalloc(sizeof *schedules);
    if (!schedules)
        return pw_no_memory(err);
    schedules->engine = p;
    atomic_init(&schedules->wanted, true);
    int failed = pthread_mutex_init(&schedules->lock, NULL);
    if (failed) {
        pw_free(schedules);
        return pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory");
    }
    *out = schedules;
    return PAWL_OK;
}

void pw_schedules_free(pw_schedules *schedules)
{
    if (!schedules)
        return;
    (void)pthread_mutex_destroy(&schedules->lock);
    pw_free(schedules);
}

/* ------------------------------------------------------------------ one name */

/* Schedules of a name, newest first. */
static pawl_code list(pawl *p, pw_str namespace_, pw_str name, bool living, uint32_t limit,
                      pw_instance_row **rows, size_t *count, pw_arena *arena, pawl_error *err)
{
    const pw_instance_filter filter = {
        .namespace_ = namespace_, .name = name, .schedules = true, .living = living, .limit = limit
    };
    pw_str next;
    return pw_store_instance_list(p->store, &filter, rows, count, &next, arena, err);
}

static pawl_code cancel(pawl *p, pw_str instance, pw_str version, pw_arena *arena, pawl_error *err)
{
    pw_command command = { .instance = instance };
    command.event.kind = PW_EVENT_CANCEL;
    command.event.actor = ENGINE_ACTOR;
    command.event.reason = pw_arena_printf(
        arena, "version " PW_FMT " is not the newest published one", PW_ARG(version));
    if (!command.event.reason.ptr)
        return pw_no_memory(err);
    pawl_code code = pw_command_send(p, &command, err);
    return code == PAWL_STATE || code == PAWL_NOT_FOUND ? PAWL_OK : code; /* it has ended */
}

/* Whether the newest schedule of this version is at rest because somebody, or its fault, has
 * stopped it. */
static pawl_code is_stopped(pawl *p, const pw_instance_row *row, bool *out, pw_arena *arena,
                            pawl_error *err)
{
    pw_step_row *steps;
    size_t count;
    *out = row->status != PW_COMPLETED;
    if (row->status != PW_CANCELLED)
        return PAWL_OK;
    pawl_code code = pw_store_steps(p->store, row->id, row->token, 1, &steps, &count, arena, err);
    if (code == PAWL_OK && count == 1)
        *out = !pw_str_eq(steps[0].actor, ENGINE_ACTOR);
    return code;
}

static pawl_code start(pawl *p, const pw_definition *d, pw_str id, pw_arena *arena, pawl_error *err)
{
    pw_inbox_row row;
    pawl_code code = pw_store_inbox_get(p->store, id, PW_LIT("start"), &row, arena, err);
    if (code != PAWL_NOT_FOUND) /* handed over, with what the one before it knows */
        return code;
    char digest[65];
    pw_program *program = NULL;
    code = pw_digest_of_value(digest, pw_null(), err);
    if (code == PAWL_OK)
        code = pw_programs_get(p->programs, p->store, d->namespace_, d->name, d->version, false,
                               &program, NULL, err);
    if (code != PAWL_OK)
        return code;
    const pw_instance_new create = { .namespace_ = d->namespace_,
                                     .name = d->name,
                                     .version = d->version,
                                     .input_digest = { digest, 64 },
                                     .correlation = id,
                                     .schedule = true };
    pw_command command = { .instance = id, .create = &create, .program = program };
    command.event.kind = PW_EVENT_START;
    command.event.payload = pw_null();
    command.event.schedule = true;
    PW_FAULT("schedule-before-start");
    code = pw_command_send(p, &command, err);
    pw_program_unref(program);
    return code == PAWL_CONFLICT ? PAWL_OK : code; /* it is there */
}

static pawl_code keep(pawl *p, pw_str namespace_, pw_str name, pw_str *id, pw_arena *arena,
                      pawl_error *err)
{
    pw_definition newest = { 0 };
    pw_instance_row *rows;
    size_t count;
    *id = (pw_str){ "", 0 };
    pawl_code code =
        pw_store_definition_get(p->store, namespace_, name, (pw_str){ "", 0 }, &newest, arena, err);
    if (code != PAWL_OK)
        return code;
    bool wanted = newest.scheduled && newest.status == PW_DEFINITION_PUBLISHED;
    code = list(p, namespace_, name, true, PAGE, &rows, &count, arena, err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++) {
        if (wanted && !id->len && pw_str_eq(rows[i].version, newest.version))
            *id = rows[i].id;
        else
            code = cancel(p, rows[i].id, rows[i].version, arena, err);
    }
    if (code != PAWL_OK || !wanted || id->len)
        return code;
    code = list(p, namespace_, name, false, PAGE, &rows, &count, arena, err);
    bool stopped = false;
    size_t same = 0; /* the newest of this version */
    while (same < count && !pw_str_eq(rows[same].version, newest.version))
        same++;
    if (code == PAWL_OK && same < count)
        code = is_stopped(p, &rows[same], &stopped, arena, err);
    if (code != PAWL_OK || stopped)
        return code;
    *id = pw_schedule_id(arena, namespace_, name, newest.version,
                         count ? rows[0].id : (pw_str){ "", 0 });
    if (!id->ptr)
        return pw_no_memory(err);
    return start(p, &newest, *id, arena, err);
}

pawl_code pw_schedules_keep(pw_schedules *schedules, pw_str namespace_, pw_str name, pw_str *id,
                            pw_arena *arena, pawl_error *err)
{
    pawl *p = schedules->engine;
    (void)pthread_mutex_lock(&schedules->lock);
    pawl_code code = keep(p, namespace_, name, id, arena, err);
    (void)pthread_mutex_unlock(&schedules->lock);
    if (code == PAWL_OK)
        return code;
    atomic_store(&schedules->wanted, true);
    pw_recovery_wake(p->recovery);
    return code;
}

void pw_schedules_changed(pw_schedules *schedules, pw_str namespace_, pw_str name)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_str id;
    pawl_code code = pw_schedules_keep(schedules, namespace_, name, &id, &arena, NULL);
    (void)code;
    pw_arena_done(&arena);
}

/* ------------------------------------------------------------------ all names */

bool pw_schedules_check(pw_schedules *schedules, bool others)
{
    pawl *p = schedules->engine;
    if (!atomic_exchange(&schedules->wanted, false) &&
        (!others || pw_leases_exclusive(p->leases))) /* there nobody else deploys */
        return true;
    pw_arena page, each;
    pw_arena_init(&page, 0);
    pw_arena_init(&each, 0);
    pw_definition_filter filter = { .scheduled = true, .limit = PAGE };
    bool good = true, more = true;
    pw_str namespace_ = { "", 0 }, name = { "", 0 };
    while (good && more) {
        pw_definition_row *rows = NULL;
        size_t count = 0;
        pw_str next = { 0 };
        good = pw_store_definition_list(p->store, &filter, &rows, &count, &next, &page, NULL) ==
               PAWL_OK;
        for (size_t i = 0; i < count && good; i++) {
            const pw_definition *d = &rows[i].definition;
            pw_str id;
            if (pw_str_eq(d->namespace_, namespace_) && pw_str_eq(d->name, name))
                continue; /* another version of the same */
            namespace_ = d->namespace_;
            name = d->name;
            pw_arena_reset(&each);
            (void)pthread_mutex_lock(&schedules->lock);
            pawl_code code = keep(p, namespace_, name, &id, &each, NULL);
            (void)pthread_mutex_unlock(&schedules->lock);
            /* what another node has, or a document that this release cannot read, holds up nobody
             */
            bool full = code == PAWL_BUSY && pw_leases_exclusive(p->leases);
            good = code != PAWL_IO && code != PAWL_NO_MEMORY && !full;
        }
        filter.after = next;
        more = next.len > 0;
    }
    pw_arena_done(&each);
    pw_arena_done(&page);
    if (!good)
        atomic_store(&schedules->wanted, true);
    return good;
}

/* ------------------------------------------------------------------ looking */

static const char *const kinds[] = { [PW_SCHEDULE_EVERY] = "every",
                                     [PW_SCHEDULE_CRON] = "cron",
                                     [PW_SCHEDULE_AFTER] = "after",
                                     [PW_SCHEDULE_ON] = "on" };

/* As written: "PT1H", "0 9 * * *"; an object as JSON. */
static pw_value expression_of(const pw_task *task, pw_arena *arena)
{
    const pw_schedule *schedule = &task->as.schedule;
    pw_value written = pw_get_lit(task->definition, kinds[schedule->kind]);
    if (pw_is(written, PW_STRING))
        return written;
    return pw_string_ref(pw_json_text(arena, written, PW_JSON_COMPACT));
}

static void add(pw_object_builder *object, const char *name, pw_value v)
{
    pw_object_add(object, pw_str_of(name), v);
}

static void add_program(pw_object_builder *object, const pw_program *program)
{
    static const char *const overlaps[] = {
        [PW_OVERLAP_ALLOW] = "allow", [PW_OVERLAP_SKIP] = "skip", [PW_OVERLAP_WAIT] = "wait"
    };
    static const char *const catch_ups[] = {
        [PW_CATCH_UP_ONE] = "one", [PW_CATCH_UP_ALL] = "all", [PW_CATCH_UP_NONE] = "none"
    };
    if (!program->schedule.count)
        return;
    const pw_task *task = program->schedule.tasks[0];
    const pw_schedule *s = &task->as.schedule;
    add(object, "kind", pw_string_ref(pw_str_of(kinds[s->kind])));
    add(object, "expression", expression_of(task, object->arena));
    if (s->kind == PW_SCHEDULE_CRON)
        add(object, "timeZone", pw_string(object->arena, pw_zone_name(s->cron->zone)));
    if (s->kind != PW_SCHEDULE_AFTER)
        add(object, "overlap", pw_string_ref(pw_str_of(overlaps[s->overlap])));
    if (s->kind == PW_SCHEDULE_EVERY || s->kind == PW_SCHEDULE_CRON)
        add(object, "catchUp", pw_string_ref(pw_str_of(catch_ups[s->catch_up])));
}

/* What cannot be read is left out, and said. */
static pawl_code add_one(pawl *p, pw_array_builder *list, const pw_instance_row *row,
                         pawl_error *err)
{
    pw_arena *arena = list->arena;
    pw_object_builder object = { .arena = arena };
    pw_program *program = NULL;
    pw_instance_row whole = { 0 };
    pw_state *state = NULL;
    const pw_payload_source payloads = pw_store_payloads(p->store, row->id);
    add(&object, "namespace", pw_string_ref(row->namespace_));
    add(&object, "name", pw_string_ref(row->name));
    add(&object, "version", pw_string_ref(row->version));
    add(&object, "instance", pw_string_ref(row->id));
    add(&object, "status", pw_string_ref(pw_str_of(pw_status_name(row->status))));
    pawl_error error = { .code = PAWL_OK };
    pawl_code code = pw_programs_get(p->programs, p->store, row->namespace_, row->name,
                                     row->version, false, &program, NULL, &error);
    if (code == PAWL_OK) {
        add_program(&object, program);
        code = pw_store_instance_get(p->store, row->id, true, &whole, arena, &error);
    }
    if (code == PAWL_OK)
        code = pw_state_parse(&state, whole.state, program, &payloads, arena, &error);
    if (code == PAWL_OK) {
        pw_value waits = pw_state_waits(state, program, arena), own = { 0 };
        for (size_t i = 0; i < waits.count && pw_is(own, PW_NONE); i++)
            own = pw_get_lit(pw_item(waits, i), "schedule");
        static const char *const names[] = { "fired", "last", "next", "runs" };
        for (size_t i = 0; i < PW_LENGTH(names); i++)
            add(&object, names[i], pw_get_lit(own, names[i]));
    } else if (code == PAWL_CORRUPT || code == PAWL_SCHEMA || code == PAWL_NOT_FOUND) {
        add(&object, "trouble", pw_string(arena, pw_str_of(error.message)));
        code = PAWL_OK;
    }
    /* names and definitions of the program are borrowed: written out before it goes */
    pw_value v = pw_copy(arena, pw_object_end(&object));
    pw_program_unref(program);
    if (code == PAWL_OK)
        pw_array_add(list, v);
    else if (err)
        *err = error;
    return code;
}

pawl_code pawl_schedules(pawl *p, const pawl_list_options *options, char **out, pawl_error *err)
{
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "schedules: the pawl or out is NULL");
    pw_instance_filter filter;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_instance_row *rows = NULL;
    size_t count = 0;
    pw_str next = { 0 };
    bool none = false;
    pawl_code code = pw_list_filter(&filter, &none, options, "schedules", &arena, err);
    filter.schedules = filter.living = true;
    filter.by_status = false;
    filter.parent = (pw_str){ "", 0 };
    if (code == PAWL_OK && !none)
        code = pw_store_instance_list(p->store, &filter, &rows, &count, &next, &arena, err);
    pw_array_builder list = { .arena = &arena };
    for (size_t i = 0; i < count && code == PAWL_OK; i++)
        code = add_one(p, &list, &rows[i], err);
    if (code == PAWL_OK) {
        pw_object_builder object = { .arena = &arena };
        add(&object, "schedules", pw_array_end(&list));
        if (next.len)
            add(&object, "next", pw_string_ref(next));
        code = pw_give_json(out, pw_object_end(&object), &arena, err);
    }
    pw_arena_done(&arena);
    return code;
}
