/* state.c - the state of an instance as text, and back.
 *
 * What is stored is JSON with short names; `f` is the format number. Data that a scope merely
 * passes on is written once: a frame whose data is its parent's own input carries "=" instead of
 * it, and the root one whose data is the workflow's raw input. Large values are put out, and their
 * references stand in the text (base/payload.h): a step writes what it changed. Reading trusts
 * nothing: a row that does not fit the program is PAWL_CORRUPT, never a crash. Frames nest at most
 * PW_SCOPES_MAX deep, which bounds the recursion here. */
#include <stdlib.h>
#include "core/step.h"
#include "base/json.h"

/* No instance gets that far: at a million visits a second, in 285 years. What comes behind it still
 * fits. */
#define VISITS_MAX ((int64_t)1 << 53)

/* Phases in which a frame of each kind of task may be stored. */
static const unsigned phases_of[] = {
    [PW_TASK_DO] = PW_BIT(PHASE_BODY),
    [PW_TASK_SET] = 0,
    [PW_TASK_SWITCH] = 0,
    [PW_TASK_FOR] = PW_BIT(PHASE_BODY),
    [PW_TASK_FORK] = PW_BIT(PHASE_BODY),
    [PW_TASK_TRY] = PW_BIT(PHASE_BODY) | PW_BIT(PHASE_HANDLER) | PW_BIT(PHASE_RETRY),
    [PW_TASK_RAISE] = 0,
    [PW_TASK_WAIT] = PW_BIT(PHASE_TIMER) | PW_BIT(PHASE_PARKED),
    [PW_TASK_EMIT] = 0,
    [PW_TASK_HTTP] = PW_BIT(PHASE_CALL) | PW_BIT(PHASE_RETRY) | PW_BIT(PHASE_PARKED),
    [PW_TASK_USER] = PW_BIT(PHASE_USER) | PW_BIT(PHASE_PARKED),
    [PW_TASK_FUNCTION] = PW_BIT(PHASE_BODY),
    [PW_TASK_ACTIVITY] = PW_BIT(PHASE_WORK) | PW_BIT(PHASE_RETRY) | PW_BIT(PHASE_PARKED),
    [PW_TASK_LISTEN] = PW_BIT(PHASE_LISTEN) | PW_BIT(PHASE_BODY),
    [PW_TASK_RUN] = PW_BIT(PHASE_CHILD) | PW_BIT(PHASE_PARKED),
    [PW_TASK_SCHEDULE] = PW_BIT(PHASE_TIMER) | PW_BIT(PHASE_LISTEN) | PW_BIT(PHASE_CHILD),
    [PW_TASK_COMPENSATE] = PW_BIT(PHASE_BODY),
};

static bool same(pw_value a, pw_value b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

pw_value pw_frame_raw(const pw_frame *frame)
{
    return pw_is(frame->raw, PW_NONE) ? frame->input : frame->raw;
}

const pw_list *pw_frame_list(const pw_frame *frame, const pw_program *program)
{
    const pw_task *task = frame->task;
    if (!task)
        return frame->schedule ? &program->schedule : &program->body;
    switch (task->kind) {
    case PW_TASK_DO:
        return &task->as.body;
    case PW_TASK_FOR:
        return &task->as.loop.body;
    case PW_TASK_FORK:
        return &task->as.fork.branches;
    case PW_TASK_TRY:
        return frame->phase == PHASE_HANDLER ? &task->as.attempt.handler : &task->as.attempt.body;
    case PW_TASK_LISTEN:
        return &task->as.listen.body;
    case PW_TASK_SET:
    case PW_TASK_SWITCH:
    case PW_TASK_RAISE:
    case PW_TASK_WAIT:
    case PW_TASK_EMIT:
    case PW_TASK_HTTP:
    case PW_TASK_USER:
    case PW_TASK_FUNCTION:
    case PW_TASK_ACTIVITY:
    case PW_TASK_RUN:
    case PW_TASK_SCHEDULE:
    case PW_TASK_COMPENSATE:
        return NULL;
    }
    return NULL;
}

pw_frame *pw_frame_walk(pw_frame *frame, const pw_frame *top)
{
    if (frame->child)
        return frame->child;
    while (frame != top && !frame->next)
        frame = frame->parent;
    return frame == top ? NULL : frame->next;
}

int64_t pw_frame_wake(const pw_frame *frame)
{
    if (frame->timeout_ms == PW_WAKE_NEVER)
        return frame->due_ms;
    if (frame->due_ms == PW_WAKE_NEVER || frame->timeout_ms < frame->due_ms)
        return frame->timeout_ms;
    return frame->due_ms;
}

/* ------------------------------------------------------------------ copies */

static void append(pw_frame *parent, pw_frame *child)
{
    child->parent = parent;
    child->next = NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->child = child;
    parent->last = child;
}

static pw_frame *clone_frame(const pw_frame *from, pw_frame *parent, pw_arena *arena)
{
    pw_frame *frame = PW_NEW(arena, pw_frame);
    if (!frame)
        return NULL;
    *frame = *from;
    frame->parent = frame->child = frame->last = frame->next = NULL;
    if (parent)
        append(parent, frame);
    for (const pw_frame *child = from->child; child; child = child->next)
        if (!clone_frame(child, frame, arena))
            return NULL;
    return frame;
}

pw_frame *pw_frame_clone(const pw_frame *from, pw_arena *arena)
{
    return clone_frame(from, NULL, arena);
}

pw_state *pw_state_clone(const pw_state *state, pw_arena *arena)
{
    pw_state *copy = PW_NEW(arena, pw_state);
    if (!copy)
        return NULL;
    *copy = *state;
    copy->root = clone_frame(state->root, NULL, arena);
    return copy->root ? copy : NULL;
}

/* Values that are the same in several frames stay one in the copy: the last few are remembered, and
 * all large ones. */
typedef struct copier {
    pw_arena *arena;
    pw_copying copying;
    struct {
        pw_value from, to;
    } seen[8];
    unsigned at;
} copier;

static pw_value copy_value(copier *c, pw_value v)
{
    if (v.type < PW_STRING && !(v.type == PW_NUMBER && v.form == PW_FORM_LITERAL))
        return v;
    for (size_t i = 0; i < PW_LENGTH(c->seen); i++)
        if (!pw_is(c->seen[i].from, PW_NONE) && same(c->seen[i].from, v))
            return c->seen[i].to;
    unsigned at = c->at++ % PW_LENGTH(c->seen);
    c->seen[at].from = v;
    c->seen[at].to = pw_copying_copy(&c->copying, v);
    return c->seen[at].to;
}

static void copy_frame(copier *c, pw_frame *frame, pw_value around, pw_value copied);

/* What rests in a wide fork, too. */
static void copy_branches(copier *c, pw_frame *fork, pw_value input)
{
    const pw_frame from = *fork;
    uint32_t count = fork->task->as.fork.branches.count;
    pw_slot *slots = PW_NEW_ARRAY(c->arena, pw_slot, count);
    fork->branches = NULL;
    for (uint32_t i = 0; slots && i < count && !c->arena->failed; i++) {
        slots[i] = *pw_branches_slot(&from, i);
        slots[i].owner = NULL;
        slots[i].output = copy_value(c, slots[i].output);
        if (slots[i].kind != SLOT_OPEN)
            continue;
        slots[i].frame = pw_frame_clone(slots[i].frame, c->arena);
        if (slots[i].frame)
            copy_frame(c, slots[i].frame, input, fork->input);
    }
    if (!c->arena->failed)
        (void)pw_branches_load(c->arena, fork, slots);
}

/* `copied`: the copy of the data around it, which many a frame merely passes on. */
static void copy_frame(copier *c, pw_frame *frame, pw_value around, pw_value copied)
{
    pw_value input = frame->input;
    pw_value *values[] = { &frame->raw,   &frame->input, &frame->items,
                           &frame->error, &frame->args,  &frame->context };
    for (size_t i = 0; i < PW_LENGTH(values); i++)
        *values[i] = same(*values[i], around) ? copied : copy_value(c, *values[i]);
    frame->key = pw_arena_str(c->arena, frame->key);
    frame->branch = pw_arena_str(c->arena, frame->branch);
    for (pw_frame *child = frame->child; child; child = child->next)
        copy_frame(c, child, input, frame->input);
    if (frame->branches)
        copy_branches(c, frame, input);
}

static int64_t *copy_instants(pw_arena *arena, const int64_t *from, uint32_t count)
{
    int64_t *to = PW_NEW_ARRAY(arena, int64_t, count);
    if (to)
        memcpy(to, from, count * sizeof *to);
    return to;
}

pawl_code pw_state_copy(pw_state **out, const pw_state *state, pw_arena *arena, pawl_error *err)
{
    pw_state *copy = pw_state_clone(state, arena);
    if (!copy)
        return pw_no_memory(err);
    copier c = { .arena = arena };
    pawl_code code = pw_copying_init(&c.copying, state->known, arena, err);
    if (code != PAWL_OK)
        return code;
    copy->input = copy_value(&c, copy->input);
    copy->context = copy_value(&c, copy->context);
    copy->suspended_by = pw_arena_str(arena, copy->suspended_by);
    copy->suspended_reason = pw_arena_str(arena, copy->suspended_reason);
    copy->parent = pw_arena_str(arena, copy->parent);
    if (copy->incident_count)
        copy->incidents = copy_instants(arena, copy->incidents, copy->incident_count);
    copy_frame(&c, copy->root, state->input, copy->input);
    copy->known = pw_copying_done(&c.copying);
    if (arena->failed)
        return pw_no_memory(err);
    *out = copy;
    return PAWL_OK;
}

/* ------------------------------------------------------------------ writing */

typedef struct writer {
    pw_buf buf;
    pw_putting *put;
} writer;

static void put_name(writer *w, const char *name)
{
    char text[8]; /* names have three letters at most */
    size_t n = 0;
    if (w->buf.len && w->buf.ptr[w->buf.len - 1] != '{')
        text[n++] = ',';
    text[n++] = '"';
    while (*name && n < sizeof text - 2)
        text[n++] = *name++;
    PW_ASSERT(*name == '\0');
    text[n++] = '"';
    text[n++] = ':';
    pw_buf_add(&w->buf, text, n);
}

static void put_int(writer *w, const char *name, int64_t value, int64_t unless)
{
    if (value == unless)
        return;
    put_name(w, name);
    pw_json_write(&w->buf, pw_int(value), PW_JSON_COMPACT);
}

static void put_value(writer *w, const char *name, pw_value value)
{
    if (pw_is(value, PW_NONE))
        return;
    put_name(w, name);
    pw_payload_write(&w->buf, value, w->put);
}

static void put_text(writer *w, const char *name, pw_str text)
{
    if (text.len)
        put_value(w, name, pw_string_ref(text));
}

static void put_instants(writer *w, const char *name, const int64_t *instants, uint32_t count)
{
    if (count == 0)
        return;
    put_name(w, name);
    for (uint32_t i = 0; i < count; i++) {
        pw_buf_char(&w->buf, i ? ',' : '[');
        pw_json_write(&w->buf, pw_int(instants[i]), PW_JSON_COMPACT);
    }
    pw_buf_char(&w->buf, ']');
}

static bool has_not_begun(const pw_frame *frame)
{
    return frame->phase == PHASE_READY || frame->phase == PHASE_PLANNED;
}

static void write_frame(writer *w, const pw_frame *frame, const pw_value *around)
{
    pw_buf_char(&w->buf, '{');
    if (frame->task) {
        put_int(w, "t", frame->task->index, -1);
        put_int(w, "p", frame->phase, -1);
        put_int(w, "v", (int64_t)frame->visit, -1);
    }
    put_int(w, "x", (int64_t)frame->path, 0); /* of the root, too: a rewind gives it another one */
    put_int(w, "sc", frame->schedule, 0);
    put_int(w, "o", frame->ordinal, 0);
    put_int(w, "n", frame->attempt, 0);
    put_int(w, "i", frame->at, 0);
    put_int(w, "s", frame->started_ms, 0);
    put_int(w, "s1", frame->first_ms, 0);
    put_int(w, "l", (int64_t)frame->limit_ms, 0);
    put_int(w, "to", frame->timeout_ms, PW_WAKE_NEVER);
    put_int(w, "d", frame->due_ms, PW_WAKE_NEVER);
    pw_value data = has_not_begun(frame) ? frame->raw : frame->input;
    if (!has_not_begun(frame))
        put_value(w, "r", frame->raw);
    if (same(data, *around))
        put_int(w, "=", 1, 0);
    else
        put_value(w, "in", data);
    bool listens = pw_listen_is_open(frame); /* lists in lists: the inner ones are put out */
    w->put->depth = listens ? 1 : 0;
    put_value(w, "it", frame->items);
    w->put->depth = 0;
    put_int(w, "b", frame->branches != NULL, 0);
    put_value(w, "e", frame->error);
    if (frame->class_)
        put_text(w, "cl", pw_str_of(pw_error_class_name((pw_error_class)(frame->class_ - 1))));
    w->put->depth = listens ? 2 : 0;
    put_value(w, "a", frame->args);
    w->put->depth = 0;
    put_value(w, "cx", frame->context);
    put_text(w, "k", frame->key);
    put_int(w, "en", (int64_t)frame->entry, 0);
    put_text(w, "br", frame->branch);
    put_int(w, "u", frame->doubt, 0);
    if (frame->child) {
        put_name(w, "c");
        pw_buf_char(&w->buf, '[');
        for (const pw_frame *child = frame->child; child; child = child->next) {
            if (child != frame->child)
                pw_buf_char(&w->buf, ',');
            write_frame(w, child, &frame->input);
        }
        pw_buf_char(&w->buf, ']');
    }
    pw_buf_char(&w->buf, '}');
}

static pw_str end_text(writer *w, jmp_buf *guard)
{
    pw_str text = { NULL, 0 };
    if (!w->buf.failed)
        text = pw_arena_str(w->put->arena, pw_buf_view(&w->buf));
    (void)pw_arena_guard(w->put->arena, guard);
    pw_buf_done(&w->buf);
    return text;
}

pw_str pw_branch_text(const pw_slot *slot, const pw_frame *fork, pw_putting *put)
{
    writer w = { .put = put };
    pw_buf_init(&w.buf, 0);
    jmp_buf *guard = pw_arena_guard(put->arena, NULL); /* a jump would lose the buffer */
    pw_buf_char(&w.buf, '{');
    if (slot->kind == SLOT_OPEN) {
        put_name(&w, "o");
        write_frame(&w, slot->frame, &fork->input);
    } else if (slot->kind == SLOT_DONE) {
        put_value(&w, "d", slot->output);
    }
    pw_buf_char(&w.buf, '}');
    return end_text(&w, guard);
}

pw_str pw_state_write(const pw_state *state, pw_putting *put)
{
    writer w = { .put = put };
    pw_buf_init(&w.buf, 0);
    jmp_buf *guard = pw_arena_guard(put->arena, NULL); /* a jump would lose the buffer */
    pw_buf_char(&w.buf, '{');
    put_int(&w, "f", PW_STATE_FORMAT, 0);
    put_value(&w, "s", pw_string_ref(pw_str_of(pw_status_name(state->status))));
    put_int(&w, "v", (int64_t)state->visits, -1);
    put_int(&w, "t", state->started_ms, -1);
    put_value(&w, "i", state->input);
    put_value(&w, "x", state->context);
    put_text(&w, "by", state->suspended_by);
    put_text(&w, "why", state->suspended_reason);
    put_text(&w, "pa", state->parent);
    put_int(&w, "pv", (int64_t)state->parent_visit, 0);
    put_int(&w, "dp", state->depth, 0);
    put_int(&w, "fi", state->incident, 0);
    put_instants(&w, "is", state->incidents, state->incident_count);
    put_int(&w, "lr", state->told_ms, PW_WAKE_NEVER);
    put_int(&w, "un", (int64_t)state->undo_count, 0);
    put_int(&w, "co", state->compensating, 0);
    put_name(&w, "r");
    write_frame(&w, state->root, &state->input);
    pw_buf_char(&w.buf, '}');
    return end_text(&w, guard);
}

/* ------------------------------------------------------------------ reading */

static pawl_code corrupt(pawl_error *err, const char *what)
{
    return pw_fail(err, PAWL_CORRUPT,
                   "stored state: %s; restore the store from a backup",
                   what);
}

static bool get_int(pw_value object, const char *name, int64_t absent, int64_t low, int64_t high,
                    int64_t *out)
{
    pw_value v = pw_get_lit(object, name);
    if (pw_is(v, PW_NONE)) {
        *out = absent;
        return true;
    }
    return pw_integer(v, out) && *out >= low && *out <= high;
}

static bool fits(const pw_frame *parent, const pw_task *task, const pw_program *program)
{
    if (parent->task && parent->task->kind == PW_TASK_FUNCTION)
        return parent->task->as.call.body == task;
    if (task->kind == PW_TASK_USER && task->as.user.actions) /* onFault: in no list */
        return !parent->task;
    if (parent->task && parent->task->kind == PW_TASK_COMPENSATE)
        return task->undoes || (task->kind == PW_TASK_RUN && task->as.run.await);
    if (!parent->task && program->compensation.count && task == program->compensation.tasks[0])
        return true;
    const pw_list *list = pw_frame_list(parent, program);
    return list && task->position < list->count && list->tasks[task->position] == task;
}

/* A wait, a retry, somebody who may be late, a try whose attempts have a limit, or a start to come. */
static bool may_be_due(const pw_frame *frame)
{
    if (!frame->task)
        return !frame->child && frame->timeout_ms == PW_WAKE_NEVER;
    return frame->phase == PHASE_USER || frame->phase == PHASE_TIMER || frame->phase == PHASE_RETRY ||
           (frame->phase == PHASE_BODY && frame->task->kind == PW_TASK_TRY);
}

/* What the phase promises about the data: later code relies on it. */
static bool complete(const pw_frame *frame)
{
    if (!frame->task && frame->phase != PHASE_BODY)
        return false; /* the root is never anything else */
    if (frame->due_ms != PW_WAKE_NEVER && !may_be_due(frame))
        return false;
    if (pw_undo_is_step(frame) != (frame->entry > 0) && frame->task && frame->task->kind != PW_TASK_COMPENSATE)
        return false;
    if (has_not_begun(frame))
        return !pw_is(frame->raw, PW_NONE) && !frame->child && frame->timeout_ms == PW_WAKE_NEVER &&
               (frame->phase == PHASE_READY || pw_undo_is_step(frame));
    if (pw_is(frame->input, PW_NONE))
        return false;
    if (!frame->task || frame->phase == PHASE_FAULTED)
        return frame->phase != PHASE_FAULTED || !pw_is(frame->error, PW_NONE);
    if (frame->phase != PHASE_BODY && frame->phase != PHASE_HANDLER && frame->child)
        return false;
    if (frame->task->kind == PW_TASK_COMPENSATE)
        return pw_is(frame->args, PW_OBJECT) && frame->at <= 1 && frame->entry > 0;
    if (frame->task->kind == PW_TASK_FOR)
        return pw_is(frame->items, PW_ARRAY) && frame->at < frame->items.count;
    if (frame->branches)
        return true; /* read_branches has seen to it */
    if (frame->task->kind == PW_TASK_FORK)
        return pw_is(frame->items, PW_ARRAY) &&
               frame->items.count == frame->task->as.fork.branches.count && frame->at >= 1 &&
               frame->at <= frame->items.count;
    if (frame->task->kind == PW_TASK_LISTEN || frame->phase == PHASE_LISTEN)
        return pw_listen_sound(frame);
    if (frame->phase == PHASE_HANDLER)
        return !pw_is(frame->error, PW_NONE);
    if (frame->phase == PHASE_RETRY && frame->task->kind != PW_TASK_TRY &&
        (frame->key.len == 0 || pw_is(frame->error, PW_NONE) || frame->attempt == 0 ||
         (frame->task->kind == PW_TASK_ACTIVITY && pw_is(frame->args, PW_NONE))))
        return false;
    if (frame->phase == PHASE_TIMER || frame->phase == PHASE_RETRY)
        return frame->due_ms != PW_WAKE_NEVER;
    if (frame->phase == PHASE_WORK)
        return frame->key.len > 0 && !pw_is(frame->args, PW_NONE);
    if (frame->phase == PHASE_CALL || frame->phase == PHASE_USER)
        return frame->key.len > 0;
    if (frame->phase == PHASE_CHILD)
        return frame->key.len == PW_ID_SIZE - 1 &&
               (frame->task->kind != PW_TASK_RUN || frame->task->as.run.await);
    if (frame->phase == PHASE_PARKED)
        return !pw_is(frame->args, PW_NONE) || !pw_is(frame->error, PW_NONE);
    return true;
}

/* What is read beside the frames themselves. */
typedef struct reader {
    const pw_program *program;
    pw_value branches;     /* [fork, number, state], in this order; PW_NONE: no rows */
    const pw_known *known; /* large values in them; NULL: none */
    pw_arena *arena;
    pawl_error *err;
} reader;

static pawl_code read_branches(const reader *r, pw_frame *fork, unsigned depth);

static pawl_code read_frame(pw_frame **out, pw_value v, pw_frame *parent, pw_value around,
                            unsigned depth, const reader *r)
{
    const pw_program *program = r->program;
    pw_arena *arena = r->arena;
    pawl_error *err = r->err;
    if (!pw_is(v, PW_OBJECT))
        return corrupt(err, "a scope is not an object");
    if (depth > PW_SCOPES_MAX + 1)
        return corrupt(err, "scopes are nested too deep");
    pw_frame *frame = PW_NEW(arena, pw_frame);
    if (!frame)
        return pw_no_memory(err);
    int64_t index, phase, visit, path, ordinal, attempt, at, limit, same_data, apart, schedule, entry, doubt;
    if (!get_int(v, "t", -1, 0, (int64_t)program->task_count - 1, &index) ||
        !get_int(v, "p", PHASE_BODY, 0, PHASE_COUNT - 1, &phase) ||
        !get_int(v, "v", 0, 0, VISITS_MAX, &visit) ||
        !get_int(v, "x", 0, INT64_MIN, INT64_MAX, &path) ||
        !get_int(v, "o", 0, 0, UINT32_MAX, &ordinal) ||
        !get_int(v, "n", 0, 0, UINT32_MAX, &attempt) || !get_int(v, "i", 0, 0, UINT32_MAX, &at) ||
        !get_int(v, "s", 0, 0, INT64_MAX, &frame->started_ms) ||
        !get_int(v, "s1", 0, 0, INT64_MAX, &frame->first_ms) ||
        !get_int(v, "l", 0, 0, INT64_MAX, &limit) ||
        !get_int(v, "to", PW_WAKE_NEVER, 0, INT64_MAX, &frame->timeout_ms) ||
        !get_int(v, "d", PW_WAKE_NEVER, 0, INT64_MAX, &frame->due_ms) ||
        !get_int(v, "=", 0, 1, 1, &same_data) || !get_int(v, "b", 0, 1, 1, &apart) ||
        !get_int(v, "sc", 0, 1, 1, &schedule) || !get_int(v, "en", 0, 1, VISITS_MAX, &entry) ||
        !get_int(v, "u", 0, 1, 1, &doubt))
        return corrupt(err, "a number of a scope is out of range");
    frame->phase = (pw_phase)phase;
    frame->visit = (uint64_t)visit;
    frame->path = (uint64_t)path;
    frame->ordinal = (uint32_t)ordinal;
    frame->attempt = (uint32_t)attempt;
    frame->at = (uint32_t)at;
    frame->limit_ms = (uint64_t)limit;
    frame->entry = (uint64_t)entry;
    frame->branch = pw_get_text(v, "br");
    frame->doubt = doubt;
    if ((index < 0) != (parent == NULL))
        return corrupt(err, "a scope has no task");
    frame->schedule = !parent && schedule;
    if (parent) {
        frame->task = program->tasks[index];
        frame->around = pw_frame_around(parent);
        if (!fits(parent, frame->task, program))
            return corrupt(err, "a task is not where its scope says");
        if (frame->phase != PHASE_READY && frame->phase != PHASE_FAULTED && frame->phase != PHASE_PLANNED &&
            !(phases_of[frame->task->kind] & PW_BIT(frame->phase)))
            return corrupt(err, "a task is in a phase that its kind does not have");
    }
    pw_value data = same_data ? around : pw_get_lit(v, "in");
    frame->raw = has_not_begun(frame) ? data : pw_get_lit(v, "r");
    frame->input = has_not_begun(frame) ? (pw_value){ 0 } : data;
    frame->items = pw_get_lit(v, "it");
    frame->error = pw_get_lit(v, "e");
    frame->args = pw_get_lit(v, "a");
    frame->context = pw_get_lit(v, "cx");
    frame->key = pw_get_text(v, "k");
    pw_str class_ = pw_get_text(v, "cl");
    pw_error_class known = PW_CLASS_OTHER;
    if (class_.len && !pw_error_class_parse(&known, class_))
        return corrupt(err, "a class of errors is not known");
    frame->class_ = class_.len ? 1 + (unsigned)known : 0;
    if (parent)
        append(parent, frame);
    pw_value children = pw_get_lit(v, "c");
    for (size_t i = 0; pw_is(children, PW_ARRAY) && i < children.count; i++) {
        pw_frame *child;
        pawl_code code =
            read_frame(&child, pw_item(children, i), frame, frame->input, depth + 1, r);
        if (code != PAWL_OK)
            return code;
    }
    if (apart) {
        pawl_code code = read_branches(r, frame, depth);
        if (code != PAWL_OK)
            return code;
    }
    if (!complete(frame))
        return corrupt(err, "a scope lacks its data");
    *out = frame;
    return PAWL_OK;
}

/* The first of the rows of this fork; they are in order. */
static uint32_t first_row(pw_value rows, uint64_t fork)
{
    uint32_t low = 0, high = rows.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int64_t of;
        if (pw_integer(pw_item(pw_item(rows, middle), 0), &of) && of < (int64_t)fork)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static pawl_code read_slot(const reader *r, pw_frame *fork, uint32_t at, pw_value row,
                           unsigned depth, pw_slot *slot)
{
    int64_t of, number;
    if (!pw_is(row, PW_ARRAY) || row.count != 3 || !pw_integer(pw_item(row, 0), &of) ||
        !pw_integer(pw_item(row, 1), &number) || of != (int64_t)fork->visit || number != at)
        return corrupt(r->err, "a branch of a fork is not there");
    pw_value state = pw_item(row, 2), frame = pw_get_lit(state, "o");
    if (!pw_is(state, PW_OBJECT))
        return corrupt(r->err, "a branch is not an object");
    slot->rest = pw_rest_none();
    slot->output = pw_get_lit(state, "d");
    slot->kind = pw_is(slot->output, PW_NONE) ? SLOT_OUT : SLOT_DONE;
    if (!pw_is(frame, PW_NONE)) {
        slot->kind = SLOT_OPEN;
        pawl_code code = read_frame(&slot->frame, frame, fork, fork->input, depth + 1, r);
        if (code != PAWL_OK)
            return code;
        if (slot->frame->task->position != at)
            return corrupt(r->err, "a branch has another number");
        fork->child = fork->last = slot->frame->parent = slot->frame->next = NULL;
    }
    if (!r->known)
        return PAWL_OK;
    pw_arena scratch;
    pw_arena_init(&scratch, 0);
    pw_putting put = { .arena = &scratch, .known = r->known, .list = &(pw_payload_list){ 0 } };
    bool written = pw_branch_text(slot, fork, &put).ptr != NULL;
    slot->rest.whole = put.whole;
    pw_arena_done(&scratch);
    return written || put.whole > PW_PAYLOAD_WHOLE_MAX ? PAWL_OK : pw_no_memory(r->err);
}

static pawl_code read_branches(const reader *r, pw_frame *fork, unsigned depth)
{
    if (!fork->task || !pw_fork_is_wide(fork->task) || fork->phase != PHASE_BODY || fork->child ||
        pw_is(fork->input, PW_NONE))
        return corrupt(r->err, "a scope that is no fork has branches");
    uint32_t count = fork->task->as.fork.branches.count,
             first = first_row(r->branches, fork->visit);
    pw_slot *slots = PW_NEW_ARRAY(r->arena, pw_slot, count);
    if (!slots)
        return pw_no_memory(r->err);
    if (!pw_is(r->branches, PW_ARRAY) || r->branches.count - first < count)
        return corrupt(r->err, "a branch of a fork is not there");
    uint32_t open = 0;
    for (uint32_t i = 0; i < count; i++) {
        pawl_code code = read_slot(r, fork, i, pw_item(r->branches, first + i), depth, &slots[i]);
        if (code != PAWL_OK)
            return code;
        open += slots[i].kind == SLOT_OPEN;
    }
    if (open == 0 || open != fork->at)
        return corrupt(r->err, "a fork has other branches than it says");
    return pw_branches_load(r->arena, fork, slots) ? PAWL_OK : pw_no_memory(r->err);
}

pawl_code pw_state_parse(pw_state **out, pw_str text, const pw_program *program,
                         const pw_payload_source *source, pw_arena *arena, pawl_error *err)
{
    return pw_state_parse_branches(out, text, (pw_str){ 0 }, program, source, arena, err);
}

/* Of format 3 and before whatever has faulted can be retried. */
static bool read_incidents(pw_state *state, pw_value v, int64_t format, pw_arena *arena)
{
    int64_t open;
    pw_value instants = pw_get_lit(v, "is");
    if (!get_int(v, "fi", 0, 1, 1, &open) ||
        !get_int(v, "lr", PW_WAKE_NEVER, 0, INT64_MAX, &state->told_ms) ||
        (open && state->status != PW_FAULTED && state->status != PW_SUSPENDED))
        return false;
    state->incident = open || (format < 4 && state->status == PW_FAULTED);
    if (pw_is(instants, PW_NONE))
        return true;
    if (!pw_is(instants, PW_ARRAY) || instants.count > PW_INCIDENTS_KEPT)
        return false;
    state->incidents = PW_NEW_ARRAY(arena, int64_t, instants.count + 1);
    for (uint32_t i = 0; state->incidents && i < instants.count; i++)
        if (!pw_integer(pw_item(instants, i), &state->incidents[i]) || state->incidents[i] < 0)
            return false;
    state->incident_count = state->incidents ? instants.count : 0;
    return true;
}

/* The whole is being undone, and nothing else is done; or it is not. */
static bool compensates_well(const pw_state *state, const pw_program *program)
{
    const pw_frame *child = state->root->child;
    bool whole = program->compensation.count && child && child->task == program->compensation.tasks[0];
    bool may_be = state->status == PW_COMPENSATING || state->status == PW_SUSPENDED ||
                  (state->status == PW_FAULTED && state->incident);
    return whole == state->compensating && (!whole || may_be) && (whole || state->status != PW_COMPENSATING);
}

pawl_code pw_state_parse_branches(pw_state **out, pw_str text, pw_str branches,
                                  const pw_program *program, const pw_payload_source *source,
                                  pw_arena *arena, pawl_error *err)
{
    pw_value both[2] = { 0 }, v;
    pawl_code code = pw_json_parse(&both[0], text, NULL, arena, err);
    if (code == PAWL_OK && branches.len)
        code = pw_json_parse(&both[1], branches, NULL, arena, err);
    v = both[0];
    if (code == PAWL_INVALID)
        return corrupt(err, "it is not JSON");
    if (code != PAWL_OK)
        return code;
    int64_t format;
    if (!get_int(v, "f", 0, 1, INT64_MAX, &format) || format == 0)
        return corrupt(err, "no format number");
    if (format > PW_STATE_FORMAT)
        return pw_fail(err, PAWL_SCHEMA,
                       "stored state has format %lld, this program knows %d: use a newer program",
                       (long long)format, PW_STATE_FORMAT);
    const pw_known *known = NULL;
    bool refers = pw_payload_refers(text) || pw_payload_refers(branches);
    pw_value all = pw_array_ref(both, 2); /* together: what both have is one */
    if (format > 1 && refers &&
        (code = pw_payload_resolve(branches.len ? &all : &both[0], source, &known, arena, err)) !=
            PAWL_OK)
        return code;
    v = both[0];
    pw_state *state = PW_NEW(arena, pw_state);
    if (!state)
        return pw_no_memory(err);
    state->known = known;
    int64_t visits, parent_visit, depth, undo_count, compensating;
    if (!pw_status_parse(&state->status, pw_get_text(v, "s")) ||
        !get_int(v, "v", 0, 0, VISITS_MAX, &visits) ||
        !get_int(v, "t", 0, 0, INT64_MAX, &state->started_ms) ||
        !get_int(v, "un", 0, 1, VISITS_MAX, &undo_count) || !get_int(v, "co", 0, 1, 1, &compensating))
        return corrupt(err, "status, visits or start are missing");
    state->parent = pw_get_text(v, "pa");
    if (!get_int(v, "pv", 0, 1, VISITS_MAX, &parent_visit) ||
        !get_int(v, "dp", 0, 1, PW_DEPTH_MAX, &depth) || (state->parent.len > 0) != (parent_visit > 0))
        return corrupt(err, "its parent is out of range");
    state->parent_visit = (uint64_t)parent_visit;
    state->depth = (uint32_t)depth;
    state->visits = (uint64_t)visits;
    state->undo_count = (uint64_t)undo_count;
    state->compensating = compensating;
    state->input = pw_get_lit(v, "i");
    state->context = pw_get_lit(v, "x");
    if (pw_is(state->input, PW_NONE) || pw_is(state->context, PW_NONE))
        return corrupt(err, "input or context are missing");
    state->suspended_by = pw_get_text(v, "by");
    state->suspended_reason = pw_get_text(v, "why");
    if (!read_incidents(state, v, format, arena))
        return corrupt(err, "its incidents are out of range");
    const reader r = { program, both[1], known, arena, err };
    code = read_frame(&state->root, pw_get_lit(v, "r"), NULL, state->input, 0, &r);
    if (code != PAWL_OK)
        return code;
    for (const pw_frame *child = state->root->child; child; child = child->next)
        if (pw_remedy_is(child) && (!state->incident || child->phase != PHASE_USER))
            return corrupt(err, "somebody is asked about an incident that is not open");
    if (!compensates_well(state, program))
        return corrupt(err, "whether it is being compensated is not clear");
    bool pending = state->status == PW_PENDING;
    if (pw_is_pending(state) != pending && !(pw_is_pending(state) && state->status == PW_SUSPENDED))
        return corrupt(err, "whether it has begun is not clear");
    *out = state;
    return PAWL_OK;
}

pawl_code pw_entries_parse(pw_value *out, pw_str text, const pw_payload_source *source,
                           pw_arena *arena, pawl_error *err)
{
    pw_value v;
    pawl_code code = pw_json_parse(&v, text, NULL, arena, err);
    if (code == PAWL_OK && pw_payload_refers(text))
        code = pw_payload_resolve(&v, source, NULL, arena, err);
    if (code == PAWL_OK)
        *out = v;
    return code;
}
