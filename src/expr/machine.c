/* machine.c - evaluations: limits, outputs, errors.
 *
 * While an expression runs, the caller's arena has our guard and our limit: an allocation that
 * fails, or goes over what the evaluation may make, ends the evaluation at once. The machine owns
 * all other memory, so nothing is lost by the jump. */
#include "expr/vm_internal.h"

#include <math.h>

/* Scratch of one kind that a machine keeps between evaluations. */
enum { KEEP_BYTES = 1 << 20 };

static const pw_expr_limits default_limits = {
    .fuel = 10000000,
    .memory = (size_t)64 << 20,
    .depth = 10000,
    .outputs = 1000000,
};

pw_expr_machine *pw_expr_machine_new(const pw_expr_limits *limits)
{
    pw_expr_machine *m = pw_zalloc(sizeof *m);
    if (!m)
        return NULL;
    m->limits = default_limits;
    if (limits && limits->fuel)
        m->limits.fuel = limits->fuel;
    if (limits && limits->memory)
        m->limits.memory = limits->memory;
    if (limits && limits->depth)
        m->limits.depth = limits->depth;
    if (limits && limits->outputs)
        m->limits.outputs = limits->outputs;
    return m;
}

void pw_expr_machine_free(pw_expr_machine *m)
{
    if (!m)
        return;
    pw_free(m->cells);
    pw_free(m->slots);
    pw_free(m->forks);
    pw_free(m->steps);
    pw_buf_done(&m->text);
    pw_regex_cache_free(m->regexes);
    if (m->tester)
        pw_arena_done(&m->tests);
    pw_free(m);
}

static void *shrink_one(void *items, uint32_t *room, size_t item)
{
    if (*room <= KEEP_BYTES / item)
        return items;
    pw_free(items);
    *room = 0;
    return NULL;
}

/* Gives back what an unusual evaluation has grown. */
static void shrink(pw_expr_machine *m)
{
    m->cells = shrink_one(m->cells, &m->cell_room, sizeof(pw_cell));
    m->slots = shrink_one(m->slots, &m->slot_room, sizeof(pw_slot));
    m->forks = shrink_one(m->forks, &m->fork_room, sizeof(pw_fork));
    m->steps = shrink_one(m->steps, &m->step_room, sizeof(pw_step));
    if (m->text.size > KEEP_BYTES)
        pw_buf_done(&m->text);
    pw_regex_cache_shrink(m->regexes);
    memset(m->tails, 0, sizeof m->tails);
    m->owner = 0;
    m->arena = NULL;
    m->expr = NULL;
    m->input = NULL;
}

/* ---- outputs */

typedef struct clean_frame {
    pw_value from;
    void *to; /* pw_value[] or pw_member[] */
    uint32_t at;
} clean_frame;

static pw_value clean_scalar(pw_value v)
{
    if (pw_is(v, PW_NUMBER) && v.form == PW_FORM_REAL && !isfinite(v.as.real))
        return pw_real(v.as.real);
    return v;
}

/* Walks what leaves the machine, so that nobody after us meets a value deeper than
 * PW_JSON_DEPTH_MAX, one that shares so much that writing it out would take for ever, or (only if
 * there was such a number) a NaN. A value is rebuilt only in that last case. */
pw_value pw_expr_clean(pw_expr_machine *m, pw_value v)
{
    if (!pw_is(v, PW_ARRAY) && !pw_is(v, PW_OBJECT))
        return clean_scalar(v);
    bool rebuild = m->odd_numbers;
    size_t size = 16, depth = 0;
    clean_frame *stack = pw_arena_alloc(m->arena, size * sizeof *stack);
    stack[depth++] = (clean_frame){ .from = v };
    for (;;) {
        clean_frame *f = &stack[depth - 1];
        uint32_t count = f->from.count;
        if (f->at == 0) {
            pw_expr_charge(m, count / 4 + 1);
            if (rebuild && pw_is(f->from, PW_ARRAY))
                f->to = PW_NEW_ARRAY(m->arena, pw_value, count + 1);
            else if (rebuild)
                f->to = PW_NEW_ARRAY(m->arena, pw_member, count + 1);
        }
        bool array = pw_is(f->from, PW_ARRAY), down = false;
        while (f->at < count && !down) {
            pw_value child = array ? f->from.as.items[f->at] : pw_members(f->from)[f->at].value;
            if ((pw_is(child, PW_ARRAY) || pw_is(child, PW_OBJECT)) && child.count > 0) {
                if (depth > PW_JSON_DEPTH_MAX)
                    return pw_expr_throw(m, "Result nested too deeply: more than %d levels",
                                         PW_JSON_DEPTH_MAX);
                if (depth == size) {
                    stack = pw_arena_grow(m->arena, stack, size * sizeof *stack,
                                          2 * size * sizeof *stack);
                    size *= 2;
                }
                stack[depth++] = (clean_frame){ .from = child };
                down = true;
                break;
            }
            if (rebuild && array)
                ((pw_value *)f->to)[f->at] = clean_scalar(child);
            else if (rebuild)
                ((pw_member *)f->to)[f->at] =
                    (pw_member){ pw_members(f->from)[f->at].key, clean_scalar(child) };
            f->at++;
        }
        if (down)
            continue;
        pw_value done = f->from;
        if (rebuild)
            done = array ? pw_array_ref(f->to, count) : pw_object_of(m->arena, f->to, count);
        if (--depth == 0)
            return done;
        f = &stack[depth - 1];
        if (rebuild && pw_is(f->from, PW_ARRAY))
            ((pw_value *)f->to)[f->at] = done;
        else if (rebuild)
            ((pw_member *)f->to)[f->at] = (pw_member){ pw_members(f->from)[f->at].key, done };
        f->at++;
    }
}

/* A program that has done little cannot have made anything extreme: then the walk is spared. */
enum { CLEAN_FROM_FUEL = 200 };

static pawl_code give_outputs(pw_expr_machine *m, pw_expr_output_fn on_output, void *context)
{
    for (bool more = pw_vm_start(m); more; more = pw_vm_next(m)) {
        if (m->outputs == m->limits.outputs)
            pw_expr_stop(m, PW_STOP_OUTPUTS);
        pw_value v = m->acc;
        if (m->odd_numbers || m->fuel_given - m->fuel > CLEAN_FROM_FUEL)
            v = pw_expr_clean(m, v);
        if (pw_is(v, PW_NONE))
            return PAWL_EXPRESSION;
        v.reserved = 0;
        m->outputs++;
        m->owner = 0; /* what others have seen never grows */
        if (!on_output(context, v))
            return PAWL_OK;
    }
    return m->failed ? PAWL_EXPRESSION : PAWL_OK;
}

/* ---- errors */

static pawl_code stopped(pw_expr_machine *m, pw_value *thrown, pawl_error *err)
{
    static const char *const texts[] = {
        [PW_STOP_NONE] = "stopped",
        [PW_STOP_FUEL] = "expression stopped: fuel limit reached (too many steps)",
        [PW_STOP_MEMORY] = "expression stopped: memory limit reached",
        [PW_STOP_DEPTH] = "expression stopped: depth limit reached (calls inside each other)",
        [PW_STOP_OUTPUTS] = "expression stopped: outputs limit reached",
        [PW_STOP_NO_MEMORY] = "out of memory",
    };
    const char *text = texts[m->stop];
    if (thrown)
        *thrown = pw_string_ref(pw_str_of(text));
    return pw_fail(err, m->stop == PW_STOP_NO_MEMORY ? PAWL_NO_MEMORY : PAWL_EXPRESSION, "%s",
                   text);
}

static pawl_code threw(pw_expr_machine *m, pw_value *thrown, pawl_error *err)
{
    m->error.reserved = 0;
    if (thrown)
        *thrown = m->error;
    if (pw_is(m->error, PW_STRING)) {
        pw_str text = pw_text(m->error);
        return pw_fail(err, PAWL_EXPRESSION, PW_FMT, PW_ARG(text));
    }
    return pw_fail(err, PAWL_EXPRESSION, "%s (not a string)", m->thrown_text);
}

/* What was thrown may be as extreme as any output. */
static pw_value clean_error(pw_expr_machine *m)
{
    pw_value thrown = m->error, cleaned = pw_expr_clean(m, thrown);
    if (pw_is(cleaned, PW_NONE))
        return m->error; /* that it was too deep */
    if (!pw_is(thrown, PW_STRING))
        (void)pw_expr_dump(m, thrown, m->thrown_text);
    return cleaned;
}

pawl_code pw_expr_run(pw_expr_machine *m, const pw_expr *expr, const pw_expr_input *input,
                      pw_expr_output_fn on_output, void *context, pw_arena *arena, pw_value *thrown,
                      pawl_error *err)
{
    m->expr = expr;
    m->input = input;
    m->arena = arena;
    m->evaluations++;
    m->fuel = m->fuel_given = m->limits.fuel;
    m->stop = PW_STOP_NONE;
    m->odd_numbers = false;
    m->acc = pw_null();
    size_t limit = arena->limit, own = arena->used + m->limits.memory;
    own = own < arena->used ? SIZE_MAX : own;
    bool ours = limit == 0 || own < limit;
    if (ours)
        arena->limit = own;
    m->outputs = 0;
    pw_arena_mark mark = pw_arena_at(arena);
    jmp_buf guard, *before = pw_arena_guard(arena, &guard);
    pawl_code code;
    if (setjmp(guard) == 0) {
        code = give_outputs(m, on_output, context);
        if (code == PAWL_EXPRESSION)
            m->error = clean_error(m);
    } else {
        code = PAWL_NO_MEMORY;
        if (m->stop == PW_STOP_NONE)
            m->stop = arena->over_limit && ours ? PW_STOP_MEMORY : PW_STOP_NO_MEMORY;
        arena->failed = arena->over_limit = false;
        if (m->outputs == 0) /* nobody has seen anything of it */
            pw_arena_rewind(arena, mark);
    }
    (void)pw_arena_guard(arena, before);
    arena->limit = limit;
    m->fuel_given -= m->fuel;
    if (m->stop != PW_STOP_NONE)
        code = stopped(m, thrown, err);
    else if (code == PAWL_EXPRESSION)
        code = threw(m, thrown, err);
    shrink(m);
    return code;
}

typedef struct first_output {
    pw_value value;
} first_output;

static bool keep_first(void *context, pw_value output)
{
    ((first_output *)context)->value = output;
    return false;
}

pawl_code pw_expr_first(pw_value *out, pw_expr_machine *machine, const pw_expr *expr,
                        const pw_expr_input *input, pw_arena *arena, pawl_error *err)
{
    first_output first = { pw_null() };
    pawl_code code = pw_expr_run(machine, expr, input, keep_first, &first, arena, NULL, err);
    if (code == PAWL_OK)
        *out = first.value;
    return code;
}

uint64_t pw_expr_fuel_spent(const pw_expr_machine *machine)
{
    return machine->fuel_given;
}
