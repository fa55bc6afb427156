/* vm.c - runs compiled code, backtracking.
 *
 * Everything that waits - values, frames, forks, steps of paths - is in arrays of the machine that
 * grow on the heap; C does not recurse. A fork remembers where all of them stood; what lies below
 * that is not overwritten until the fork is gone, so going back is a matter of setting indexes.
 * Cells of the value stack and steps of paths are linked downwards, which lets popping and pushing
 * go on above a fork without touching what it needs.
 *
 * Variables are not restored when backtracking: a variable is set again before it is read again.
 *
 * Running out of fuel, memory, depth or outputs leaves by longjmp (pw_expr_stop) and cannot be
 * caught by `try`. A thrown error unwinds forks until one of a `try` takes it. */
#include "expr/vm_internal.h"

#include <math.h>

void pw_expr_stop(pw_expr_machine *m, pw_stop stop)
{
    m->stop = stop;
    jmp_buf *guard = m->arena->guard;
    PW_ASSERT(guard);
    longjmp(*guard, 1);
}

/* ---- stacks */

void pw_expr_claim(pw_expr_machine *m, size_t bytes)
{
    if (bytes > m->arena->limit - m->arena->used)
        (void)pw_arena_fail(m->arena, true);
    m->arena->limit -= bytes;
}

/* Twice the items, or the first few, which are free. */
static void *grow(pw_expr_machine *m, void *items, uint32_t *size, uint32_t *room, size_t item)
{
    enum { FIRST = 64 };
    uint32_t want = *size ? *size * 2 : FIRST;
    if (want > UINT32_MAX / 4)
        pw_expr_stop(m, PW_STOP_MEMORY);
    pw_expr_claim(m, *size * item);
    if (want > *room) {
        items = pw_realloc(items, want * item);
        if (!items)
            pw_expr_stop(m, PW_STOP_NO_MEMORY);
        *room = want;
    }
    *size = want;
    return items;
}

static void grow_cells(pw_expr_machine *m)
{
    m->cells = grow(m, m->cells, &m->cell_size, &m->cell_room, sizeof(pw_cell));
}

static void grow_slots(pw_expr_machine *m)
{
    m->slots = grow(m, m->slots, &m->slot_size, &m->slot_room, sizeof(pw_slot));
}

static void grow_forks(pw_expr_machine *m)
{
    m->forks = grow(m, m->forks, &m->fork_size, &m->fork_room, sizeof(pw_fork));
}

static void grow_steps(pw_expr_machine *m)
{
    m->steps = grow(m, m->steps, &m->step_size, &m->step_room, sizeof(pw_step));
}

static inline pw_fork *top_fork(pw_expr_machine *m)
{
    return &m->forks[m->fork_count - 1];
}

static inline uint32_t max32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static inline void push(pw_expr_machine *m, pw_value v)
{
    uint32_t at = max32(m->top + 1, top_fork(m)->cell_free);
    if (at >= m->cell_size)
        grow_cells(m);
    m->cells[at].value = v;
    m->cells[at].prev = m->top;
    m->top = at;
}

static inline pw_value pop(pw_expr_machine *m)
{
    PW_INVARIANT(m->top > 0);
    pw_cell *cell = &m->cells[m->top];
    m->top = cell->prev;
    return cell->value;
}

static inline pw_fork *add_fork(pw_expr_machine *m, pw_fork_kind kind, uint32_t pc)
{
    if (m->fork_count >= m->limits.depth)
        pw_expr_stop(m, PW_STOP_DEPTH);
    if (m->fork_count == m->fork_size)
        grow_forks(m);
    pw_fork *fork = &m->forks[m->fork_count], *below = fork - 1;
    fork->kind = (uint8_t)kind;
    fork->tracking = m->tracking;
    fork->pc = pc;
    fork->frame = m->frame;
    fork->frame_free = m->frame_free;
    fork->top = m->top;
    fork->cell_free = max32(m->top + 1, below->cell_free);
    fork->path = m->path;
    fork->step_free = max32(m->path + 1, below->step_free);
    fork->sub = m->sub;
    fork->run = m->run;
    fork->index = 0;
    fork->acc = m->acc;
    fork->path_value = m->path_value;
    m->fork_count++;
    return fork;
}

static inline void restore(pw_expr_machine *m, const pw_fork *fork)
{
    m->tracking = fork->tracking;
    m->pc = fork->pc;
    m->frame = fork->frame;
    m->frame_free = fork->frame_free;
    m->top = fork->top;
    m->path = fork->path;
    m->sub = fork->sub;
    m->run = fork->run;
    m->acc = fork->acc;
    m->path_value = fork->path_value;
}

/* ---- frames */

static inline pw_slot *slot_at(pw_expr_machine *m, uint32_t frame, uint32_t slot)
{
    return &m->slots[frame + 1 + slot];
}

static inline pw_slot *slot(pw_expr_machine *m, uint32_t index)
{
    return slot_at(m, m->frame, index);
}

static inline uint32_t frame_up(const pw_expr_machine *m, uint32_t levels)
{
    uint32_t frame = m->frame;
    while (levels-- > 0)
        frame = m->slots[frame].head.link;
    return frame;
}

static void reserve_slots(pw_expr_machine *m, uint32_t count)
{
    while (m->frame_free + count > m->slot_size)
        grow_slots(m);
}

enum { NO_LEVEL = UINT16_MAX };

/* Enters a function whose defining frame is `link`; its arguments are in `args`. A tail call takes
 * the place of the running frame, unless a fork may come back to that. */
static void enter(pw_expr_machine *m, uint32_t function, uint32_t link, const pw_slot *args,
                  uint32_t back, bool tail)
{
    const pw_function *f = &m->expr->functions[function];
    uint32_t prev = m->frame, depth = m->slots[m->frame].head.depth + 1;
    if (tail) {
        prev = m->slots[m->frame].head.prev;
        back = m->slots[m->frame].head.back;
        depth--;
        if (m->frame >= top_fork(m)->frame_free)
            m->frame_free = m->frame;
    }
    if (depth > m->limits.depth)
        pw_expr_stop(m, PW_STOP_DEPTH);
    reserve_slots(m, f->slots + 1);
    uint32_t frame = m->frame_free;
    pw_slot *slots = &m->slots[frame];
    memset(slots, 0, (f->slots + 1) * sizeof(pw_slot));
    slots[0].head.prev = prev;
    slots[0].head.back = back;
    slots[0].head.link = link;
    slots[0].head.depth = depth;
    for (uint32_t i = 0; i < f->arity; i++)
        slots[1 + i] = args[i];
    m->frame = frame;
    m->frame_free = frame + 1 + f->slots;
    m->pc = f->entry;
}

/* CALL and the ARG_s behind it. */
static void call(pw_expr_machine *m, const pw_insn *insn, bool tail)
{
    pw_slot args[64];
    uint32_t arity = m->expr->functions[insn->b].arity;
    PW_ASSERT(arity <= PW_LENGTH(args));
    for (uint32_t i = arity; i-- > 0;) {
        const pw_insn *arg = insn + 1 + i;
        if (arg->op == PW_DO_ARG_VALUE) {
            args[i].value = pop(m);
        } else if (arg->op == PW_DO_ARG_PARAM) {
            args[i] = *slot_at(m, frame_up(m, arg->a), arg->b);
        } else {
            args[i].closure.function = arg->b;
            args[i].closure.frame = m->frame;
        }
    }
    uint32_t link = insn->a == NO_LEVEL ? 0 : frame_up(m, insn->a);
    enter(m, insn->b, link, args, m->pc + arity, tail);
}

static void leave_frame(pw_expr_machine *m)
{
    const pw_slot *head = &m->slots[m->frame];
    if (m->frame >= top_fork(m)->frame_free)
        m->frame_free = m->frame;
    m->pc = head->head.back;
    m->frame = head->head.prev;
}

/* ---- paths */

static bool identical(pw_value a, pw_value b)
{
    if (a.type != b.type)
        return false;
    if (a.type <= PW_TRUE)
        return true;
    if (a.type == PW_NUMBER && a.form != b.form)
        return false;
    return a.count == b.count && a.as.integer == b.as.integer;
}

static inline bool recording(const pw_expr_machine *m)
{
    return m->tracking && m->sub == 0;
}

static void add_step(pw_expr_machine *m, pw_value key)
{
    uint32_t at = max32(m->path + 1, top_fork(m)->step_free);
    if (at >= m->step_size)
        grow_steps(m);
    m->steps[at] = (pw_step){ key, m->path, m->steps[m->path].depth + 1 };
    m->path = at;
}

/* Before a step while recording: acc must be what the path leads to. */
static bool on_path(pw_expr_machine *m, const pw_value *key)
{
    if (!recording(m) || identical(m->acc, m->path_value))
        return true;
    char value[PW_DUMP_SIZE], name[PW_DUMP_SIZE];
    (void)pw_expr_dump(m, m->acc, value);
    if (key)
        (void)pw_expr_throw(m, "Invalid path expression near attempt to access element %s of %s",
                            pw_expr_dump(m, *key, name), value);
    else
        (void)pw_expr_throw(m, "Invalid path expression near attempt to iterate through %s", value);
    return false;
}

static bool stepped(pw_expr_machine *m, pw_value key)
{
    if (recording(m)) {
        if (m->steps[m->path].depth >= PW_JSON_DEPTH_MAX) {
            (void)pw_expr_throw(m, "Path too deep");
            return false;
        }
        add_step(m, key);
        m->path_value = m->acc;
    }
    return true;
}

static void path_begin(pw_expr_machine *m)
{
    pw_value saved = pw_int((int64_t)((uint64_t)m->sub << 32 | m->path));
    saved.reserved = m->tracking;
    push(m, m->path_value);
    push(m, saved);
    uint32_t root = max32(m->path + 1, top_fork(m)->step_free);
    if (root >= m->step_size)
        grow_steps(m);
    m->steps[root] = (pw_step){ { .type = PW_NONE }, m->path, 0 };
    m->path = root;
    m->path_value = m->acc;
    m->tracking = true;
    m->sub = 0;
}

static pw_value path_array(pw_expr_machine *m)
{
    uint32_t count = m->steps[m->path].depth;
    pw_expr_charge(m, count);
    pw_value *keys = PW_NEW_ARRAY(m->arena, pw_value, count + 1);
    uint32_t at = m->path;
    for (uint32_t i = count; i-- > 0; at = m->steps[at].prev)
        keys[i] = m->steps[at].key;
    return pw_array_ref(keys, count);
}

static bool path_end(pw_expr_machine *m)
{
    if (m->sub == 0 && !identical(m->acc, m->path_value)) {
        char value[PW_DUMP_SIZE];
        (void)pw_expr_throw(m, "Invalid path expression with result %s",
                            pw_expr_dump(m, m->acc, value));
        return false;
    }
    m->acc = path_array(m);
    pw_value saved = pop(m);
    m->path_value = pop(m);
    m->tracking = saved.reserved;
    m->path = (uint32_t)saved.as.integer;
    m->sub = (uint32_t)((uint64_t)saved.as.integer >> 32);
    return true;
}

static bool get_path(pw_expr_machine *m)
{
    pw_value path = pop(m);
    if (recording(m) && !identical(m->acc, m->path_value)) {
        char value[PW_DUMP_SIZE];
        (void)pw_expr_throw(m, "Invalid path expression with result %s",
                            pw_expr_dump(m, m->acc, value));
        return false;
    }
    m->acc = pw_expr_getpath(m, m->acc, path);
    if (pw_is(m->acc, PW_NONE))
        return false;
    if (recording(m)) {
        for (uint32_t i = 0; i < path.count; i++)
            if (!stepped(m, path.as.items[i]))
                return false;
        m->path_value = m->acc;
    }
    return true;
}

/* ---- what makes several outputs */

static uint32_t item_count(pw_value v)
{
    return pw_is(v, PW_ARRAY) || pw_is(v, PW_OBJECT) ? v.count : 0;
}

/* The item `at` of `container`, with the step that leads to it. */
static bool give_item(pw_expr_machine *m, pw_value container, uint32_t at)
{
    if (pw_is(container, PW_ARRAY)) {
        m->acc = container.as.items[at];
        return stepped(m, pw_int((int64_t)at));
    }
    const pw_member *member = &pw_members(container)[at];
    m->acc = member->value;
    return !recording(m) || stepped(m, pw_string_ref(member->key));
}

typedef enum outcome { GO_ON, BACK, THROWN } outcome;

static outcome each(pw_expr_machine *m, bool optional)
{
    if (!pw_is(m->acc, PW_ARRAY) && !pw_is(m->acc, PW_OBJECT)) {
        if (optional)
            return BACK;
        if (!on_path(m, NULL))
            return THROWN;
        char value[PW_DUMP_SIZE];
        (void)pw_expr_throw(m, "Cannot iterate over %s (%s)", pw_type_name(m->acc),
                            pw_expr_dump(m, m->acc, value));
        return THROWN;
    }
    if (!on_path(m, NULL))
        return THROWN;
    pw_value container = m->acc;
    uint32_t count = item_count(container);
    if (count == 0)
        return BACK;
    if (count > 1)
        add_fork(m, PW_FORK_EACH, m->pc)->index = 1;
    return give_item(m, container, 0) ? GO_ON : THROWN;
}

/* Back at an EACH fork: the next item; the fork goes with the last. */
static outcome each_next(pw_expr_machine *m)
{
    pw_fork *fork = top_fork(m);
    uint32_t at = fork->index++;
    restore(m, fork);
    pw_value container = fork->acc;
    if (fork->index >= item_count(container))
        m->fork_count--;
    return give_item(m, container, at) ? GO_ON : THROWN;
}

static outcome range_next(pw_expr_machine *m)
{
    pw_fork *fork = top_fork(m);
    restore(m, fork);
    if (fork->kind == PW_FORK_RANGE) {
        int64_t at = fork->range.whole.at, by = fork->range.whole.by, to = fork->range.whole.to;
        m->acc = pw_int(at);
        if (__builtin_add_overflow(at, by, &fork->range.whole.at) ||
            (by > 0 ? fork->range.whole.at >= to : fork->range.whole.at <= to))
            m->fork_count--;
        return GO_ON;
    }
    double at = fork->range.real.at, by = fork->range.real.by, to = fork->range.real.to;
    m->acc = pw_expr_number(m, at);
    fork->range.real.at = at + by;
    if (by > 0 ? at + by >= to : by < 0 ? at + by <= to : false)
        m->fork_count--;
    return GO_ON;
}

static outcome range(pw_expr_machine *m, bool with_step)
{
    pw_value by = with_step ? pop(m) : pw_int(1), to = pop(m), from = pop(m);
    pw_expr_charge_number(m, by);
    pw_expr_charge_number(m, to);
    pw_expr_charge_number(m, from);
    if (!pw_is(from, PW_NUMBER) || !pw_is(to, PW_NUMBER) || !pw_is(by, PW_NUMBER)) {
        (void)pw_expr_throw(m, "Range bounds must be numeric");
        return THROWN;
    }
    int64_t from_int, to_int, by_int;
    if (pw_integer(from, &from_int) && pw_integer(to, &to_int) && pw_integer(by, &by_int) &&
        by_int != 0) {
        if (by_int > 0 ? from_int >= to_int : from_int <= to_int)
            return BACK;
        pw_fork *fork = add_fork(m, PW_FORK_RANGE, m->pc);
        fork->range.whole.at = from_int;
        fork->range.whole.to = to_int;
        fork->range.whole.by = by_int;
        return range_next(m);
    }
    double at = pw_number(from), end = pw_number(to), step = pw_number(by);
    if (step > 0 ? !(at < end) : step < 0 ? !(at > end) : !(at < end))
        return BACK;
    pw_fork *fork = add_fork(m, PW_FORK_RANGE_REAL, m->pc);
    fork->range.real.at = at;
    fork->range.real.to = end;
    fork->range.real.by = step;
    return range_next(m);
}

static outcome count_begin(pw_expr_machine *m, const pw_insn *insn)
{
    static const char *const names[] = { "limit", "skip" };
    char value[PW_DUMP_SIZE];
    if (m->acc.type > PW_NUMBER) { /* what is above all numbers is counted down */
        (void)pw_expr_throw(m, "%s (%s) and number (1) cannot be subtracted", pw_type_name(m->acc),
                            pw_expr_dump(m, m->acc, value));
        return THROWN;
    }
    pw_expr_charge_number(m, m->acc);
    double count = m->acc.type == PW_NUMBER ? pw_number(m->acc) : -1;
    if (count < 0) {
        (void)pw_expr_throw(m, "%s doesn't support negative count", names[insn->b]);
        return THROWN;
    }
    if (insn->b == 0 && !(count > 0))
        return BACK;
    slot(m, insn->a)->mark.count = count < 1e18 ? (uint64_t)ceil(count) : UINT64_MAX;
    return GO_ON;
}

/* ---- errors */

static void cut(pw_expr_machine *m, uint32_t fork)
{
    PW_ASSERT(fork > 0 && fork < m->fork_count);
    m->fork_count = fork;
}

static void try_end(pw_expr_machine *m, uint32_t mark)
{
    uint32_t fork = slot(m, mark)->mark.fork;
    if (fork == m->fork_count - 1) { /* nothing more can come from inside */
        m->fork_count--;
        return;
    }
    add_fork(m, PW_FORK_TRY_END, 0)->index = fork;
}

/* Goes to the handler of what was thrown, if there is one. */
static outcome unwind(pw_expr_machine *m)
{
    for (;;) {
        pw_fork *fork = top_fork(m);
        switch ((pw_fork_kind)fork->kind) {
        case PW_FORK_END:
            return THROWN;
        case PW_FORK_TRY:
            m->fork_count--;
            restore(m, fork);
            if (fork->pc == 0)
                return BACK;
            m->acc = m->error;
            return GO_ON;
        case PW_FORK_TRY_NEXT:
            m->fork_count--;
            restore(m, fork);
            return GO_ON;
        case PW_FORK_TRY_END:
            m->fork_count = fork->index;
            break;
        case PW_FORK_PLAIN:
        case PW_FORK_MARK:
        case PW_FORK_EACH:
        case PW_FORK_RANGE:
        case PW_FORK_RANGE_REAL:
            m->fork_count--;
            break;
        }
    }
}

/* The next way to go on; BACK: there is none. */
static outcome backtrack(pw_expr_machine *m)
{
    for (;;) {
        pw_fork *fork = top_fork(m);
        switch ((pw_fork_kind)fork->kind) {
        case PW_FORK_END:
            return BACK;
        case PW_FORK_PLAIN:
            m->fork_count--;
            restore(m, fork);
            return GO_ON;
        case PW_FORK_EACH:
            return each_next(m);
        case PW_FORK_RANGE:
        case PW_FORK_RANGE_REAL:
            return range_next(m);
        case PW_FORK_MARK:
        case PW_FORK_TRY:
        case PW_FORK_TRY_END:
        case PW_FORK_TRY_NEXT:
            m->fork_count--;
            break;
        }
    }
}

/* ---- construction */

static outcome make_object(pw_expr_machine *m, uint32_t count)
{
    pw_expr_charge(m, count);
    pw_member *members = PW_NEW_ARRAY(m->arena, pw_member, count + 1);
    bool thrown = false;
    for (uint32_t i = count; i-- > 0;) {
        members[i].value = pop(m);
        pw_value key = pop(m);
        pw_expr_charge_key(m, key);
        members[i].key = pw_text(key);
        if (!pw_is(key, PW_STRING)) {
            char value[PW_DUMP_SIZE];
            (void)pw_expr_throw(m, "Cannot use %s (%s) as object key", pw_type_name(key),
                                pw_expr_dump(m, key, value));
            thrown = true;
        }
    }
    if (thrown)
        return THROWN;
    m->acc = pw_object_of(m->arena, members, count);
    return GO_ON;
}

static void concat(pw_expr_machine *m, uint32_t count)
{
    size_t total = 0;
    uint32_t at = m->top;
    for (uint32_t i = 0; i < count; i++, at = m->cells[at].prev)
        total += m->cells[at].value.count;
    pw_expr_charge_bytes(m, total);
    char *text = pw_arena_alloc(m->arena, total + 1);
    size_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        pw_str part = pw_text(pop(m));
        if (part.len > 0)
            memcpy(text + n, part.ptr, part.len);
        n += part.len;
    }
    m->acc = pw_string_ref((pw_str){ text, n });
}

static outcome builtin(pw_expr_machine *m, const pw_insn *insn)
{
    pw_value args[64];
    pw_expr_charge_number(m, m->acc);
    for (uint32_t i = 0; i < insn->a; i++) {
        args[i] = pop(m);
        pw_expr_charge_number(m, args[i]);
    }
    m->acc = pw_builtin_at(insn->b)->run(m, m->acc, args);
    return pw_is(m->acc, PW_NONE) ? THROWN : GO_ON;
}

static outcome slice(pw_expr_machine *m, unsigned flags)
{
    pw_value to = flags & 2 ? pop(m) : pw_null(), from = flags & 4 ? pop(m) : pw_null();
    pw_value key = pw_null();
    pw_expr_charge_number(m, to);
    pw_expr_charge_number(m, from);
    if (recording(m)) {
        pw_member bounds[] = { { PW_LIT("start"), from }, { PW_LIT("end"), to } };
        key = pw_object_of(m->arena, bounds, 2);
        if (!on_path(m, &key))
            return THROWN;
    }
    m->acc = pw_expr_slice(m, m->acc, from, to);
    if (pw_is(m->acc, PW_NONE))
        return flags & 1 ? BACK : THROWN;
    return stepped(m, key) ? GO_ON : THROWN;
}

static outcome index_with(pw_expr_machine *m, pw_value key, bool optional)
{
    if (!on_path(m, &key))
        return THROWN;
    pw_expr_charge_key(m, key);
    pw_value found = pw_is(m->acc, PW_OBJECT) && pw_is(key, PW_STRING)
                         ? pw_get(m->acc, pw_text(key))
                         : pw_expr_index(m, m->acc, key);
    if (pw_is(found, PW_NONE)) {
        if (pw_is(m->acc, PW_OBJECT) && pw_is(key, PW_STRING))
            found = pw_null();
        else if (optional)
            return BACK;
        else
            return THROWN;
    }
    m->acc = found;
    return stepped(m, key) ? GO_ON : THROWN;
}

static outcome set_path(pw_expr_machine *m, pw_slot *document, pw_value path, pw_value leaf)
{
    pw_value changed = pw_expr_setpath(m, document->value, path, leaf, true);
    if (pw_is(changed, PW_NONE))
        return THROWN;
    document->value = changed;
    return BACK;
}

static void own(pw_expr_machine *m, uint32_t kept, uint32_t levels)
{
    if (++m->run >= PW_RUNS)
        return;
    memset(m->owned[m->run], 0, sizeof m->owned[m->run]);
    for (uint32_t i = 0; i < levels; i++)
        m->owned[m->run][i] = slot(m, kept + i)->value.as.items;
}

/* ---- the loop */

/* One instruction. OUTPUT is the caller's. */
static inline outcome step(pw_expr_machine *m, const pw_insn *insn)
{
    pw_value v;
    pw_slot *s;
    switch ((pw_insn_op)insn->op) {
    case PW_DO_OUTPUT:
        return GO_ON;
    case PW_DO_BACKTRACK:
        return BACK;
    case PW_DO_CONST:
        m->acc = m->expr->constants[insn->b];
        return GO_ON;
    case PW_DO_PUSH:
        push(m, m->acc);
        m->sub += insn->a;
        return GO_ON;
    case PW_DO_POP:
        m->acc = pop(m);
        m->sub -= insn->a;
        return GO_ON;
    case PW_DO_SWAP:
        v = pop(m);
        push(m, m->acc);
        m->acc = v;
        m->sub -= insn->a;
        return GO_ON;
    case PW_DO_LOAD:
        m->acc = slot_at(m, frame_up(m, insn->a), insn->b)->value;
        return GO_ON;
    case PW_DO_TAKE:
        m->acc = slot(m, insn->a)->value;
        slot(m, insn->a)->value = pw_null();
        return GO_ON;
    case PW_DO_STORE:
        slot(m, insn->a)->value = m->acc;
        return GO_ON;
    case PW_DO_GLOBAL:
        m->acc = insn->b < m->input->slot_count ? m->input->slots[insn->b] : pw_null();
        if (pw_is(m->acc, PW_NONE))
            m->acc = pw_null();
        return GO_ON;
    case PW_DO_NULLS:
        for (uint32_t i = 0; i < insn->b; i++)
            slot(m, insn->a + i)->value = pw_null();
        return GO_ON;
    case PW_DO_INDEX:
        return index_with(m, pop(m), insn->a);
    case PW_DO_INDEX_K:
        return index_with(m, m->expr->constants[insn->b], insn->a);
    case PW_DO_SLICE:
        return slice(m, insn->a);
    case PW_DO_EACH:
        return each(m, insn->a);
    case PW_DO_BINARY:
        v = pop(m);
        m->sub -= insn->a >> 8;
        m->acc = pw_expr_binary(m, insn->a & 0xff, m->acc, v);
        return pw_is(m->acc, PW_NONE) ? THROWN : GO_ON;
    case PW_DO_BINARY_K:
        if (insn->a >> 8) {
            (void)pop(m);
            m->sub--;
        }
        m->acc = pw_expr_binary(m, insn->a & 0xff, m->acc, m->expr->constants[insn->b]);
        return pw_is(m->acc, PW_NONE) ? THROWN : GO_ON;
    case PW_DO_NEGATE:
        m->acc = pw_expr_negate(m, m->acc);
        return pw_is(m->acc, PW_NONE) ? THROWN : GO_ON;
    case PW_DO_NOT:
        m->acc = pw_bool(!pw_truthy(m->acc));
        return GO_ON;
    case PW_DO_BOOL:
        m->acc = pw_bool(pw_truthy(m->acc));
        return GO_ON;
    case PW_DO_JUMP:
        m->pc = insn->b;
        return GO_ON;
    case PW_DO_BRANCH:
        if (!pw_truthy(m->acc))
            m->pc = insn->b;
        m->acc = pop(m);
        m->sub -= insn->a;
        return GO_ON;
    case PW_DO_FORK:
        (void)add_fork(m, PW_FORK_PLAIN, insn->b);
        return GO_ON;
    case PW_DO_MARK:
        slot(m, insn->a)->mark.fork = m->fork_count;
        (void)add_fork(m, PW_FORK_MARK, 0);
        return GO_ON;
    case PW_DO_MARK_ELSE:
        slot(m, insn->a)->mark.fork = m->fork_count;
        (void)add_fork(m, PW_FORK_PLAIN, insn->b);
        return GO_ON;
    case PW_DO_CUT:
        cut(m, slot_at(m, frame_up(m, insn->a), insn->b)->mark.fork);
        return GO_ON;
    case PW_DO_COUNT:
        return count_begin(m, insn);
    case PW_DO_COUNT_CUT:
        if (--slot(m, insn->a)->mark.count == 0)
            cut(m, slot(m, insn->b)->mark.fork);
        return GO_ON;
    case PW_DO_COUNT_SKIP:
        s = slot(m, insn->a);
        if (s->mark.count == 0)
            return GO_ON;
        s->mark.count--;
        return BACK;
    case PW_DO_TRY:
        slot(m, insn->a)->mark.fork = m->fork_count;
        (void)add_fork(m, PW_FORK_TRY, insn->b);
        return GO_ON;
    case PW_DO_TRY_END:
        try_end(m, insn->a);
        return GO_ON;
    case PW_DO_TRY_NEXT:
        (void)add_fork(m, PW_FORK_TRY_NEXT, insn->b);
        return GO_ON;
    case PW_DO_FOUND:
        if (!pw_truthy(m->acc))
            return BACK;
        slot(m, insn->a)->value = pw_bool(true);
        return GO_ON;
    case PW_DO_IF_FOUND:
        return pw_truthy(slot(m, insn->a)->value) ? BACK : GO_ON;
    case PW_DO_CALL:
        call(m, insn, false);
        return GO_ON;
    case PW_DO_TAIL_CALL:
        call(m, insn, true);
        return GO_ON;
    case PW_DO_CALL_PARAM:
    case PW_DO_TAIL_PARAM:
        s = slot_at(m, frame_up(m, insn->a), insn->b);
        enter(m, s->closure.function, s->closure.frame, NULL, m->pc, insn->op == PW_DO_TAIL_PARAM);
        return GO_ON;
    case PW_DO_ARG_CLOSURE:
    case PW_DO_ARG_PARAM:
    case PW_DO_ARG_VALUE:
        PW_ASSERT(false); /* arguments are read by their call */
        return GO_ON;
    case PW_DO_RETURN:
        leave_frame(m);
        return GO_ON;
    case PW_DO_ARRAY_BEGIN:
        slot(m, insn->a)->value = pw_array_ref(NULL, 0);
        return GO_ON;
    case PW_DO_ARRAY_ADD:
        pw_expr_grow_array(m, &slot(m, insn->a)->value, m->acc);
        return BACK;
    case PW_DO_ARRAY_END:
        m->acc = slot(m, insn->a)->value;
        m->acc.reserved = 0;
        return GO_ON;
    case PW_DO_OBJECT:
        return make_object(m, insn->b);
    case PW_DO_CONCAT:
        concat(m, insn->b);
        return GO_ON;
    case PW_DO_FORMAT:
        m->acc = pw_expr_format(m, insn->b, m->acc);
        return pw_is(m->acc, PW_NONE) ? THROWN : GO_ON;
    case PW_DO_BUILTIN:
        return builtin(m, insn);
    case PW_DO_RANGE:
        return range(m, insn->a);
    case PW_DO_PATH_BEGIN:
        path_begin(m);
        return GO_ON;
    case PW_DO_PATH_END:
        return path_end(m) ? GO_ON : THROWN;
    case PW_DO_GETPATH:
        return get_path(m) ? GO_ON : THROWN;
    case PW_DO_OWN:
        own(m, insn->a, insn->b);
        return GO_ON;
    case PW_DO_KEEP:
        for (uint32_t i = 0; i < insn->b; i++)
            slot(m, insn->a + i)->value.as.items =
                m->run + 1 < PW_RUNS ? m->owned[m->run + 1][i] : NULL;
        return GO_ON;
    case PW_DO_SET:
        return set_path(m, slot(m, insn->a), m->acc, slot(m, insn->b)->value);
    case PW_DO_GET:
        slot(m, insn->b)->value = m->acc;
        v = pw_expr_getpath(m, slot(m, insn->a)->value, m->acc);
        if (pw_is(v, PW_NONE))
            return THROWN;
        pw_expr_disown(m, m->acc.count); /* seen by the program from here on */
        m->acc = v;
        m->sub++; /* until the update of this path backtracks */
        return GO_ON;
    case PW_DO_PUT:
        return set_path(m, slot(m, insn->a), slot(m, insn->b)->value, m->acc);
    case PW_DO_DROP:
        pw_expr_grow_array(m, &slot(m, insn->a)->value, slot(m, insn->b)->value);
        return BACK;
    case PW_DO_DELETE:
        v = slot(m, insn->a)->value;
        v.reserved = 0;
        if (v.count > 0)
            m->acc = pw_expr_delpaths(m, m->acc, v);
        return pw_is(m->acc, PW_NONE) ? THROWN : GO_ON;
    case PW_INSN_COUNT:
        break;
    }
    PW_ASSERT(false); /* an instruction of ours */
    return GO_ON;
}

static bool run(pw_expr_machine *m, outcome o)
{
    const pw_insn *code = m->expr->code;
    for (;;) {
        while (o != GO_ON) {
            outcome was = o;
            o = was == BACK ? backtrack(m) : unwind(m);
            if (o == was) {
                m->failed = o == THROWN;
                return false;
            }
        }
        pw_expr_charge(m, 1);
        const pw_insn *insn = &code[m->pc++];
        if (insn->op == PW_DO_OUTPUT)
            return true;
        o = step(m, insn);
    }
}

bool pw_vm_start(pw_expr_machine *m)
{
    m->fork_count = m->top = m->path = m->sub = m->run = 0;
    m->tracking = m->failed = false;
    m->frame = m->frame_free = 0;
    m->path_value = m->error = (pw_value){ .type = PW_NONE };
    m->cell_size = m->slot_size = m->fork_size = m->step_size = 0;
    uint32_t slots = m->expr->functions[0].slots + 1;
    reserve_slots(m, slots);
    memset(m->slots, 0, slots * sizeof(pw_slot));
    m->frame_free = slots;
    grow_forks(m);
    grow_steps(m);
    m->steps[0] = (pw_step){ { .type = PW_NONE }, 0, 0 };
    m->forks[0] = (pw_fork){ .kind = PW_FORK_END, .frame_free = 0, .cell_free = 1, .step_free = 1 };
    m->fork_count = 1;
    m->acc = m->input->input;
    m->pc = m->expr->functions[0].entry;
    return run(m, GO_ON);
}

bool pw_vm_next(pw_expr_machine *m)
{
    return run(m, BACK);
}
