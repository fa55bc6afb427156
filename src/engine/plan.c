/* plan.c - the plan of a compensation, as it stands: what would be undone, what became of what was, and what was done
 * outside that no task undoes.
 *
 * The rows of the store are the plan; what is open at present is in the state only, and would become rows of unknown
 * outcome. What has no way to be undone is read out of the log, some way with each page, so that a page costs the same
 * however long the instance has lived. */
#include <inttypes.h>
#include <stdio.h>
#include "engine/engine.h"
#include "engine/incidents.h"
#include "base/json.h"

enum {
    FUNCTIONS_DEEP = 8, /* looked through for what undoes a call; deeper is shown */
    LOG_STEPS = 1000, /* that a page reads */
    LOG_CHUNK = 100,  /* of them at a time in memory */
};

pawl_code pw_plan_left(pawl *p, pw_str instance, pw_str scope, uint64_t *out, pawl_error *err)
{
    const pw_undo_filter filter = { .states = PW_UNDO_LEFT, .scope = scope };
    return pw_store_undo_count(p->store, instance, &filter, out, err);
}

/* ------------------------------------------------------------------ one page */

typedef struct plan {
    pawl *p;
    pw_arena *arena;
    uint32_t limit;
    uint64_t below; /* only lower ordinals; 0: there are none */
    uint64_t from;  /* step of the log from which on it is to be read; 0: it was */
    bool first;
    pw_instance_row row;
    pw_program *program; /* NULL: it is not there, or cannot be read */
    pw_state *state;     /* the same */
    uint64_t left;
} plan;

/* "ORDINAL.STEP": behind the last step of the plan that was given, and the first of the log that was not read. */
static pawl_code read_cursor(plan *q, const char *after, pawl_error *err)
{
    int end = 0;
    q->first = !after || !after[0];
    q->below = UINT64_MAX;
    q->from = 1;
    if (q->first)
        return PAWL_OK;
    if (strspn(after, "0123456789.") == strlen(after) && strlen(after) <= 40 &&
        sscanf(after, "%" SCNu64 ".%" SCNu64 "%n", &q->below, &q->from, &end) == 2 && !after[end])
        return PAWL_OK;
    return pw_fail(err, PAWL_INVALID, "compensation: after is the \"next\" of the page before, not '%.40s'", after);
}

/* Without its program or its state the rows are still worth something. */
static pawl_code read_state(plan *q, pawl_error *err)
{
    pawl_error error = { .code = PAWL_OK };
    const pw_payload_source payloads = pw_store_payloads(q->p->store, q->row.id);
    pawl_code code = pw_programs_get(q->p->programs, q->p->store, q->row.namespace_, q->row.name, q->row.version, false,
                                     &q->program, NULL, &error);
    if (code == PAWL_OK && q->first)
        code = pw_state_parse_branches(&q->state, q->row.state, q->row.branches, q->program, &payloads, q->arena, &error);
    if (code == PAWL_NOT_FOUND || code == PAWL_CORRUPT || code == PAWL_SCHEMA)
        return PAWL_OK;
    if (code != PAWL_OK && err)
        *err = error;
    return code;
}

/* ------------------------------------------------------------------ steps */

static pw_str words(pw_arena *arena, const char *verb, pw_str what)
{
    return what.len ? pw_arena_printf(arena, "%s " PW_FMT, verb, PW_ARG(what)) : pw_str_of(verb);
}

/* What would be done, in words. */
static pw_str action_of(const pw_undo *undo, pw_value arguments, pw_str child, pw_arena *arena)
{
    if (child.len)
        return words(arena, "compensate the child", child);
    if (!undo)
        return (pw_str){ 0 };
    const pw_task *task = undo->task;
    pw_value endpoint = pw_get_lit(arguments, "endpoint");
    pw_str uri = pw_is(endpoint, PW_OBJECT) ? pw_get_text(endpoint, "uri") : pw_text(endpoint);
    switch ((int)task->kind) {
    case PW_TASK_HTTP:
        return words(arena, pw_arena_printf(arena, "call " PW_FMT, PW_ARG(pw_get_text(arguments, "method"))).ptr, uri);
    case PW_TASK_EMIT:
        return words(arena, "emit", pw_get_text(arguments, "type"));
    case PW_TASK_USER:
        return words(arena, "ask a person:", pw_get_text(arguments, "title"));
    default:
        return words(arena, "call", task->as.call.name);
    }
}

static pawl_code describe(const plan *q, const pw_undo_row *row, pw_value *out, pawl_error *err)
{
    static const char *const when[] = { [PW_UNKNOWN_ASK] = "ask", [PW_UNKNOWN_RUN] = "run", [PW_UNKNOWN_SKIP] = "skip" };
    const pw_undo_step *step = &row->step;
    const pw_task *task = q->program ? pw_program_task(q->program, step->task) : NULL;
    const pw_undo *undo = task ? task->undo : NULL;
    pw_object_builder object = { .arena = q->arena };
    pw_value arguments, error;
    pawl_code code = pw_stored_json(&arguments, step->arguments, q->arena, "arguments", err);
    if (code == PAWL_OK)
        code = pw_stored_json(&error, step->error, q->arena, "error", err);
    if (code != PAWL_OK)
        return code;
    if (step->ordinal)
        pw_object_add(&object, PW_LIT("ordinal"), pw_int((int64_t)step->ordinal));
    pw_show_text(&object, "task", step->task);
    pw_show_text(&object, "name", task ? task->name : (pw_str){ 0 });
    pw_object_add(&object, PW_LIT("visit"), pw_int((int64_t)step->visit));
    pw_show_moment(&object, "completedAt", row->created_ms);
    pw_show_text(&object, "state", pw_str_of(pw_undo_state_name(step->state)));
    pw_object_add(&object, PW_LIT("required"), pw_bool(!undo || !undo->optional));
    pw_show_text(&object, "action", action_of(undo, arguments, step->child, q->arena));
    pw_object_add(&object, PW_LIT("arguments"), arguments);
    pw_show_text(&object, "branch", step->branch);
    pw_object_add(&object, PW_LIT("parallel"), pw_bool(step->branch.len > 0));
    pw_show_text(&object, "child", step->child);
    if (undo && step->state == PW_UNDO_UNKNOWN)
        pw_show_text(&object, "whenUnknown", pw_str_of(when[undo->when_unknown]));
    pw_object_add(&object, PW_LIT("error"), error);
    pw_show_moment(&object, "endedAt", row->ended_ms);
    *out = pw_object_end(&object);
    return PAWL_OK;
}

/* What is open now is in front: if the instance were compensated as it stands it would be undone first. */
static pawl_code add_open(plan *q, pw_array_builder *list, pawl_error *err)
{
    pw_undo_step *open = NULL;
    size_t count = 0;
    pawl_code code = q->state ? pw_state_undo_open(&open, &count, q->state, q->program, q->arena, err) : PAWL_OK;
    for (size_t i = 0; i < count && code == PAWL_OK; i++) {
        const pw_undo_row row = { .step = open[i], .ended_ms = -1 };
        pw_value step;
        code = describe(q, &row, &step, err);
        pw_array_add(list, step);
    }
    q->left += count;
    return code;
}

static pawl_code add_rows(plan *q, pw_array_builder *list, pawl_error *err)
{
    const pw_undo_filter filter = { .below = q->below, .limit = q->limit };
    pw_undo_row *rows = NULL;
    size_t count = 0;
    bool more = false;
    if (q->below == 0)
        return PAWL_OK;
    pawl_code code = pw_store_undo(q->p->store, q->row.id, &filter, &rows, &count, &more, q->arena, err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++) {
        pw_value step;
        code = describe(q, &rows[i], &step, err);
        pw_array_add(list, step);
    }
    q->below = more && count ? rows[count - 1].step.ordinal : 0;
    return code;
}

/* ------------------------------------------------------------------ what has no way to be undone */

/* A request of such a method has no effect, as HTTP has it. */
static bool only_reads(const pw_task *task)
{
    const pw_template *method = task->as.http.method;
    pw_str text = method ? pw_text(method->value) : (pw_str){ 0 };
    return pw_str_is(text, "GET") || pw_str_is(text, "HEAD") || pw_str_is(text, "OPTIONS");
}

static bool acts_outside(const pw_program *program, const pw_task *task)
{
    switch ((int)task->kind) {
    case PW_TASK_HTTP:
        return !only_reads(task);
    case PW_TASK_ACTIVITY:
    case PW_TASK_USER:
    case PW_TASK_EMIT:
        return true;
    case PW_TASK_RUN: /* one that is awaited has a row, if the program has a plan at all */
        return !task->as.run.await || program->compensation.count == 0;
    default:
        return false;
    }
}

static bool is_within(pw_str pointer, pw_str outer)
{
    return pointer.len >= outer.len && memcmp(pointer.ptr, outer.ptr, outer.len) == 0 &&
           (pointer.len == outer.len || pointer.ptr[outer.len] == '/');
}

/* It is in the body of a function whose calls are all undone as a whole, or undo something themselves. */
static bool is_covered(const pw_program *program, const pw_task *task, unsigned depth)
{
    bool called = false;
    for (uint32_t i = 0; i < program->task_count; i++) {
        const pw_task *call = program->tasks[i];
        if (call->kind != PW_TASK_FUNCTION || !is_within(task->pointer, call->as.call.body->pointer))
            continue;
        if (!call->undo && !call->undoes && !(depth && is_covered(program, call, depth - 1)))
            return false;
        called = true;
    }
    return called;
}

static void add_done(const plan *q, pw_array_builder *list, pw_value entry, int64_t at_ms)
{
    if (!pw_str_is(pw_get_text(entry, "type"), "task.completed"))
        return;
    const pw_task *task = pw_program_task(q->program, pw_get_text(entry, "task"));
    if (!task || task->undo || task->undoes || !acts_outside(q->program, task) ||
        is_covered(q->program, task, FUNCTIONS_DEEP))
        return;
    const pw_member members[] = { { PW_LIT("task"), pw_string_ref(task->pointer) },
                                  { PW_LIT("name"), pw_string_ref(task->name) },
                                  { PW_LIT("visit"), pw_copy(q->arena, pw_get_lit(entry, "visit")) },
                                  { PW_LIT("completedAt"), pw_string_ref(pw_moment_text(q->arena, at_ms)) } };
    pw_array_add(list, pw_object_of(q->arena, members, PW_LENGTH(members)));
}

/* Some steps of the log; their texts are gone afterwards. */
static pawl_code read_chunk(plan *q, pw_array_builder *list, pawl_error *err)
{
    pw_step_row *rows = NULL;
    size_t count = 0;
    pw_arena scratch;
    pw_arena_init(&scratch, 0);
    pawl_code code = pw_store_steps(q->p->store, q->row.id, q->from, LOG_CHUNK, &rows, &count, &scratch, err);
    size_t i = 0;
    for (; i < count && code == PAWL_OK && list->count < q->limit; i++) {
        pw_value entries;
        code = pw_stored_json(&entries, rows[i].entries, &scratch, "entries", err);
        for (size_t n = 0; n < entries.count && code == PAWL_OK; n++)
            add_done(q, list, pw_item(entries, n), rows[i].at_ms);
        q->from = rows[i].sequence + 1;
    }
    if (i == count && count < LOG_CHUNK)
        q->from = 0;
    pw_arena_done(&scratch);
    return code;
}

static pawl_code add_without(plan *q, pw_array_builder *list, pawl_error *err)
{
    pawl_code code = PAWL_OK;
    if (!q->program)
        q->from = 0;
    for (unsigned read = 0; code == PAWL_OK && q->from && read < LOG_STEPS && list->count < q->limit; read += LOG_CHUNK)
        code = read_chunk(q, list, err);
    return code;
}

/* ------------------------------------------------------------------ the whole */

static pawl_code give_plan(plan *q, char **out, pawl_error *err)
{
    pw_array_builder steps = { .arena = q->arena }, without = { .arena = q->arena };
    pw_object_builder object = { .arena = q->arena };
    pawl_code code = read_state(q, err);
    if (code == PAWL_OK)
        code = pw_plan_left(q->p, q->row.id, (pw_str){ 0 }, &q->left, err);
    if (code == PAWL_OK && q->first)
        code = add_open(q, &steps, err);
    if (code == PAWL_OK)
        code = add_rows(q, &steps, err);
    if (code == PAWL_OK)
        code = add_without(q, &without, err);
    if (code != PAWL_OK)
        return code;
    pw_show_text(&object, "id", q->row.id);
    pw_show_text(&object, "status", pw_str_of(pw_status_name(q->row.status)));
    pw_object_add(&object, PW_LIT("token"), pw_int((int64_t)q->row.token));
    pw_object_add(&object, PW_LIT("steps"), pw_array_end(&steps));
    pw_object_add(&object, PW_LIT("without"), pw_array_end(&without));
    pw_object_add(&object, PW_LIT("left"), pw_int((int64_t)q->left));
    if (q->below || q->from)
        pw_show_text(&object, "next", pw_arena_printf(q->arena, "%" PRIu64 ".%" PRIu64, q->below, q->from));
    return pw_give_json(out, pw_object_end(&object), q->arena, err);
}

pawl_code pawl_compensation(pawl *p, const char *id, const char *after, uint32_t limit, char **out, pawl_error *err)
{
    pw_incident_name name;
    plan q = { .p = p };
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "compensation: the pawl or out is NULL");
    pawl_code code = pw_incident_name_read(&name, id, err);
    if (code == PAWL_OK)
        code = pw_page_check(&q.limit, limit, "compensation", err);
    if (code == PAWL_OK)
        code = read_cursor(&q, after, err);
    if (code != PAWL_OK)
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    q.arena = &arena;
    code = pw_store_instance_get(p->store, name.instance, true, &q.row, &arena, err);
    if (code == PAWL_OK)
        code = pw_cleanup_check_whole(&q.row, err);
    if (code == PAWL_OK)
        code = give_plan(&q, out, err);
    else
        code = pw_because(err, code, PAWL_NOT_FOUND, PAWL_REASON_NO_INSTANCE);
    pw_program_unref(q.program);
    pw_arena_done(&arena);
    return code;
}
