/* ops.c - what operators mean: arithmetic, order, and growing arrays and strings.
 *
 * Integers add, subtract and multiply exactly while the result fits 64 bits; everything else is
 * done in doubles. A NaN or an infinity stays a number of the machine until it would leave it. */
#include <math.h>
#include <stdio.h>

#include "expr/vm_internal.h"
#include "expr/syntax_internal.h"

/* ---- throwing */

pw_value pw_expr_throw_value(pw_expr_machine *m, pw_value value)
{
    m->error = value;
    return (pw_value){ .type = PW_NONE };
}

pw_value pw_expr_throw(pw_expr_machine *m, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return pw_expr_throw_value(m, pw_string(m->arena, pw_str_of(text)));
}

static pw_value bad_operands(pw_expr_machine *m, pw_value a, pw_value b, const char *what)
{
    char left[PW_DUMP_SIZE], right[PW_DUMP_SIZE];
    return pw_expr_throw(m, "%s (%s) and %s (%s) cannot be %s", pw_type_name(a),
                         pw_expr_dump(m, a, left), pw_type_name(b), pw_expr_dump(m, b, right),
                         what);
}

/* ---- making values */

pw_value pw_expr_number(pw_expr_machine *m, double d)
{
    if (isfinite(d))
        return pw_real(d);
    m->odd_numbers = true;
    return (pw_value){ .type = PW_NUMBER, .form = PW_FORM_REAL, .as.real = d };
}

pw_value pw_expr_string(pw_expr_machine *m, pw_str s)
{
    pw_expr_charge_bytes(m, s.len);
    return pw_string(m->arena, s);
}

/* It may grow to what is left of the evaluation's memory: its text goes into the arena anyway. */
void pw_expr_begin_text(pw_expr_machine *m)
{
    enum { LEAST = 8192 }; /* for messages, however little is left */
    size_t left = m->arena->limit - m->arena->used, cap = left < LEAST ? LEAST : left;
    if (m->text.size > cap)
        pw_buf_done(&m->text);
    pw_buf_reset(&m->text);
    m->text.cap = cap < SIZE_MAX / 4 ? cap : SIZE_MAX / 4;
}

pw_value pw_expr_buffer(pw_expr_machine *m)
{
    if (m->text.failed)
        (void)pw_arena_fail(m->arena, m->text.over_cap);
    return pw_string(m->arena, pw_buf_view(&m->text));
}

/* `reserved` of an array in the making is the logarithm of its room. */
void pw_expr_grow_array(pw_expr_machine *m, pw_value *array, pw_value item)
{
    size_t room = array->reserved ? (size_t)1 << array->reserved : 0;
    item.reserved = 0;
    if (array->count == room) {
        size_t more = room ? room * 2 : 4;
        pw_value *items = pw_arena_alloc(m->arena, more * sizeof *items);
        pw_expr_charge(m, array->count);
        if (array->count > 0)
            memcpy(items, array->as.items, array->count * sizeof *items);
        array->as.items = items;
        array->reserved = (uint16_t)(room ? array->reserved + 1 : 2);
    }
    ((pw_value *)(uintptr_t)array->as.items)[array->count++] = item;
}

/* The tail that ends exactly where a value does, or NULL. */
static pw_tail *tail_of(pw_expr_machine *m, const void *start, size_t count)
{
    for (unsigned i = 0; i < PW_TAILS; i++)
        if (m->tails[i].start == start && m->tails[i].count == count && start)
            return &m->tails[i];
    return NULL;
}

static pw_tail *new_tail(pw_expr_machine *m, const void *start, size_t count, size_t size)
{
    pw_tail *tail = &m->tails[m->next_tail++ % PW_TAILS];
    *tail = (pw_tail){ start, count, size };
    return tail;
}

pw_value pw_expr_append_items(pw_expr_machine *m, pw_value a, const pw_value *items, size_t count)
{
    if (count == 0)
        return a;
    size_t total = a.count + count;
    pw_tail *tail = tail_of(m, a.as.items, a.count);
    pw_value *start;
    if (tail && tail->size >= total) {
        pw_expr_charge(m, count);
        start = (pw_value *)(uintptr_t)tail->start;
        tail->count = total;
    } else {
        size_t size = a.count < 4 ? total + 4 : total * 2;
        pw_expr_charge(m, total);
        start = pw_arena_alloc(m->arena, size * sizeof *start);
        if (a.count > 0)
            memcpy(start, a.as.items, a.count * sizeof *start);
        (void)new_tail(m, start, total, size);
    }
    memcpy(start + a.count, items, count * sizeof *start);
    return pw_array_ref(start, total);
}

pw_value pw_expr_append_text(pw_expr_machine *m, pw_value a, pw_str b)
{
    if (b.len == 0)
        return a;
    size_t total = a.count + b.len;
    pw_tail *tail = tail_of(m, a.as.text, a.count);
    char *start;
    if (tail && tail->size >= total) {
        pw_expr_charge_bytes(m, b.len);
        start = (char *)(uintptr_t)tail->start;
        tail->count = total;
    } else {
        size_t size = total < 32 ? 48 : total * 2;
        pw_expr_charge_bytes(m, total);
        start = pw_arena_alloc(m->arena, size);
        if (a.count > 0)
            memcpy(start, a.as.text, a.count);
        (void)new_tail(m, start, total, size);
    }
    memcpy(start + a.count, b.ptr, b.len);
    return pw_string_ref((pw_str){ start, total });
}

pw_value pw_expr_with(pw_expr_machine *m, pw_value v, pw_str key, pw_value value)
{
    if (m->owner == 0)
        m->owner = pw_owner_new();
    size_t touched = 0;
    pw_expr_charge_text(m, key.len);
    value.reserved = 0;
    pw_value changed = pw_with_growing(m->arena, m->owner, v, key, value, &touched);
    pw_expr_charge(m, touched / sizeof(pw_member));
    return changed;
}

pw_value pw_expr_object(pw_expr_machine *m, const pw_member *members, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pw_expr_charge_text(m, members[i].key.len);
    return pw_object_of(m->arena, members, count);
}

/* ---- order */

static bool is_nan(pw_value v)
{
    return v.form == PW_FORM_REAL && isnan(v.as.real);
}

static int order_scalars(pw_value a, pw_value b)
{
    if (a.type != b.type)
        return a.type < b.type ? -1 : 1;
    if (pw_is(a, PW_NUMBER)) {
        if (is_nan(a))
            return -1;
        if (is_nan(b))
            return 1;
        if (a.form == PW_FORM_INT && b.form == PW_FORM_INT)
            return (a.as.integer > b.as.integer) - (a.as.integer < b.as.integer);
        if (a.form == PW_FORM_REAL && b.form == PW_FORM_REAL)
            return (a.as.real > b.as.real) - (a.as.real < b.as.real);
        if ((a.form == PW_FORM_REAL && isinf(a.as.real)) ||
            (b.form == PW_FORM_REAL && isinf(b.as.real))) {
            double x = pw_number(a), y = pw_number(b);
            return (x > y) - (x < y);
        }
    }
    if (pw_is(a, PW_STRING)) {
        int c = pw_str_cmp(pw_text(a), pw_text(b));
        return (c > 0) - (c < 0);
    }
    int c = pw_compare(a, b);
    return (c > 0) - (c < 0);
}

typedef struct order_frame {
    pw_value a, b;
    const pw_member **as, **bs; /* objects, by key */
    uint32_t at;
} order_frame;

static bool is_container(pw_value v)
{
    return pw_is(v, PW_ARRAY) || pw_is(v, PW_OBJECT);
}

/* The keys of a small object are sorted each time. */
static void charge_sorting(pw_expr_machine *m, pw_value object)
{
    for (uint32_t i = 0; i < object.count && i < 8; i++)
        pw_expr_charge_text(m, pw_members(object)[i].key.len);
}

/* Two objects' sorted keys; leaves the sorted members in the frame. */
static int order_keys(pw_expr_machine *m, order_frame *f)
{
    charge_sorting(m, f->a);
    charge_sorting(m, f->b);
    f->as = pw_members_sorted(f->a, m->arena);
    f->bs = pw_members_sorted(f->b, m->arena);
    for (uint32_t i = 0; i < f->a.count && i < f->b.count; i++) {
        pw_expr_charge_text(m, f->as[i]->key.len);
        int c = pw_str_cmp(f->as[i]->key, f->bs[i]->key);
        if (c != 0)
            return c < 0 ? -1 : 1;
    }
    return (f->a.count > f->b.count) - (f->a.count < f->b.count);
}

/* Neither is a container, or only one of them. */
static int compare_scalars(pw_expr_machine *m, pw_value a, pw_value b)
{
    pw_expr_charge_number(m, a);
    pw_expr_charge_number(m, b);
    if (pw_is(a, PW_STRING) && pw_is(b, PW_STRING))
        pw_expr_charge(m, (a.count < b.count ? a.count : b.count) / 16);
    return order_scalars(a, b);
}

int pw_expr_order(pw_expr_machine *m, pw_value a, pw_value b, const char *what)
{
    pw_expr_charge(m, 1);
    if (a.type != b.type || !is_container(a))
        return compare_scalars(m, a, b);
    order_frame local[16], *stack = local;
    size_t size = PW_LENGTH(local), depth = 0;
    pw_value x = a, y = b;
    for (;;) {
        int c = 0;
        if (x.type != y.type || !is_container(x)) {
            pw_expr_charge(m, 1);
            c = compare_scalars(m, x, y);
        } else {
            if (depth > PW_JSON_DEPTH_MAX) {
                (void)pw_expr_throw(m, "%s too deep", what);
                return PW_ORDER_BAD;
            }
            pw_expr_charge(m, x.count / 4 + 1);
            if (depth == size) {
                order_frame *more = pw_arena_alloc(m->arena, 2 * size * sizeof *more);
                memcpy(more, stack, size * sizeof *more);
                stack = more;
                size *= 2;
            }
            stack[depth++] = (order_frame){ .a = x, .b = y };
            if (pw_is(x, PW_OBJECT))
                c = order_keys(m, &stack[depth - 1]);
        }
        if (c != 0)
            return c;
        for (;;) { /* up to the first that has more items */
            if (depth == 0)
                return 0;
            order_frame *f = &stack[depth - 1];
            if (f->at < f->a.count && f->at < f->b.count) {
                uint32_t i = f->at++;
                x = f->as ? f->as[i]->value : f->a.as.items[i];
                y = f->bs ? f->bs[i]->value : f->b.as.items[i];
                break;
            }
            if (f->a.count != f->b.count)
                return f->a.count < f->b.count ? -1 : 1;
            depth--;
        }
    }
}

static pw_value compared(pw_expr_machine *m, unsigned op, pw_value a, pw_value b)
{
    bool equality = op == PW_OP_EQUAL || op == PW_OP_NOT_EQUAL;
    int c = pw_expr_order(m, a, b, equality ? "Equality check" : "Comparison");
    if (c == PW_ORDER_BAD)
        return (pw_value){ .type = PW_NONE };
    switch (op) {
    case PW_OP_EQUAL:
        return pw_bool(c == 0);
    case PW_OP_NOT_EQUAL:
        return pw_bool(c != 0);
    case PW_OP_LESS:
        return pw_bool(c < 0);
    case PW_OP_LESS_EQUAL:
        return pw_bool(c <= 0);
    case PW_OP_GREATER:
        return pw_bool(c > 0);
    default:
        return pw_bool(c >= 0);
    }
}

/* ---- arithmetic */

/* Whether v is known exactly as an integer: not what doubles made. */
static bool exact(pw_value v, int64_t *out)
{
    if (v.form == PW_FORM_INT) {
        *out = v.as.integer;
        return true;
    }
    return v.form == PW_FORM_LITERAL && pw_integer(v, out);
}

/* Whether adding b member by member changes only what is behind the members of a. */
static bool only_adds(pw_expr_machine *m, pw_value a, pw_value b)
{
    if (b.count == 1)
        return true; /* or changes one, which copies once as well */
    if (b.count > a.count)
        return false;
    pw_expr_charge(m, b.count);
    for (uint32_t i = 0; i < b.count; i++)
        if (!pw_is(pw_get(a, pw_members(b)[i].key), PW_NONE))
            return false;
    return true;
}

static pw_value merge_shallow(pw_expr_machine *m, pw_value a, pw_value b)
{
    if (a.count == 0 || b.count == 0)
        return a.count == 0 ? b : a;
    if (only_adds(m, a, b)) {
        for (uint32_t i = 0; i < b.count; i++)
            a = pw_expr_with(m, a, pw_members(b)[i].key, pw_members(b)[i].value);
        return a;
    }
    size_t count = (size_t)a.count + b.count;
    pw_expr_charge(m, count);
    pw_member *members = PW_NEW_ARRAY(m->arena, pw_member, count);
    memcpy(members, pw_members(a), a.count * sizeof *members);
    memcpy(members + a.count, pw_members(b), b.count * sizeof *members);
    return pw_expr_object(m, members, count);
}

pw_value pw_expr_add(pw_expr_machine *m, pw_value a, pw_value b)
{
    if (pw_is(a, PW_NULL))
        return b;
    if (pw_is(b, PW_NULL))
        return a;
    pw_expr_charge_number(m, a);
    pw_expr_charge_number(m, b);
    if (a.type != b.type || a.type < PW_NUMBER)
        return bad_operands(m, a, b, "added");
    if (pw_is(a, PW_STRING))
        return a.count == 0 ? b : pw_expr_append_text(m, a, pw_text(b));
    if (pw_is(a, PW_ARRAY))
        return a.count == 0 ? b : pw_expr_append_items(m, a, b.as.items, b.count);
    if (pw_is(a, PW_OBJECT))
        return merge_shallow(m, a, b);
    int64_t x, y, sum;
    if (exact(a, &x) && exact(b, &y) && !__builtin_add_overflow(x, y, &sum))
        return pw_int(sum);
    return pw_expr_number(m, pw_number(a) + pw_number(b));
}

static pw_value subtract(pw_expr_machine *m, pw_value a, pw_value b)
{
    if (pw_is(a, PW_NUMBER) && pw_is(b, PW_NUMBER)) {
        int64_t x, y, difference;
        if (exact(a, &x) && exact(b, &y) && !__builtin_sub_overflow(x, y, &difference))
            return pw_int(difference);
        return pw_expr_number(m, pw_number(a) - pw_number(b));
    }
    if (!pw_is(a, PW_ARRAY) || !pw_is(b, PW_ARRAY))
        return bad_operands(m, a, b, "subtracted");
    pw_value left = pw_array_ref(NULL, 0);
    for (uint32_t i = 0; i < a.count; i++) {
        bool found = false;
        for (uint32_t k = 0; k < b.count && !found; k++) {
            int c = pw_expr_order(m, a.as.items[i], b.as.items[k], "Equality check");
            if (c == PW_ORDER_BAD)
                return (pw_value){ .type = PW_NONE };
            found = c == 0;
        }
        if (!found)
            pw_expr_grow_array(m, &left, a.as.items[i]);
    }
    left.reserved = 0;
    return left;
}

static pw_value repeat(pw_expr_machine *m, pw_str s, double times)
{
    if (!(times >= 0))
        return pw_null();
    if (times < 1 || s.len == 0)
        return pw_string_ref(PW_LIT(""));
    if ((double)s.len * floor(times) > INT32_MAX)
        return pw_expr_throw(m, "Repeat string result too long");
    size_t count = (size_t)times, total = s.len * count;
    if (total > m->limits.memory)
        pw_expr_stop(m, PW_STOP_MEMORY);
    pw_expr_charge_bytes(m, total);
    char *text = pw_arena_alloc(m->arena, total);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * s.len, s.ptr, s.len);
    return pw_string_ref((pw_str){ text, total });
}

typedef struct merge_frame {
    pw_value a, b;
    uint32_t at;    /* of b */
    pw_member *out; /* a's members, then the new ones of b */
    uint32_t count, place;
} merge_frame;

static void merge_open(pw_expr_machine *m, merge_frame *f, pw_value a, pw_value b)
{
    pw_expr_charge(m, (uint64_t)a.count + b.count);
    *f = (merge_frame){ .a = a, .b = b, .count = a.count };
    f->out = PW_NEW_ARRAY(m->arena, pw_member, (size_t)a.count + b.count + 1);
    if (a.count > 0)
        memcpy(f->out, pw_members(a), a.count * sizeof *f->out);
}

/* Objects that both sides have at a key are merged too, however deep. */
static pw_value merge_deep(pw_expr_machine *m, pw_value a, pw_value b)
{
    size_t size = 8, depth = 1;
    merge_frame *stack = pw_arena_alloc(m->arena, size * sizeof *stack);
    merge_open(m, &stack[0], a, b);
    for (;;) {
        merge_frame *f = &stack[depth - 1];
        if (f->at == f->b.count) {
            pw_value done = pw_expr_object(m, f->out, f->count);
            if (--depth == 0)
                return done;
            f = &stack[depth - 1];
            f->out[f->place].value = done;
            continue;
        }
        const pw_member *member = &pw_members(f->b)[f->at++];
        const pw_member *found = pw_find(f->a, member->key);
        if (!found) {
            f->out[f->count++] = *member;
            continue;
        }
        pw_value old = found->value;
        f->place = (uint32_t)(found - pw_members(f->a));
        if (!pw_is(old, PW_OBJECT) || !pw_is(member->value, PW_OBJECT)) {
            f->out[f->place].value = member->value;
            continue;
        }
        if (depth > PW_JSON_DEPTH_MAX)
            return pw_expr_throw(m, "Object merge too deep");
        if (depth == size) {
            stack = pw_arena_grow(m->arena, stack, size * sizeof *stack, 2 * size * sizeof *stack);
            size *= 2;
        }
        merge_open(m, &stack[depth++], old, member->value);
    }
}

static pw_value multiply(pw_expr_machine *m, pw_value a, pw_value b)
{
    if (pw_is(a, PW_NUMBER) && pw_is(b, PW_NUMBER)) {
        int64_t x, y, product;
        if (exact(a, &x) && exact(b, &y) && !__builtin_mul_overflow(x, y, &product))
            return pw_int(product);
        return pw_expr_number(m, pw_number(a) * pw_number(b));
    }
    if (pw_is(a, PW_STRING) && pw_is(b, PW_NUMBER))
        return repeat(m, pw_text(a), pw_number(b));
    if (pw_is(a, PW_NUMBER) && pw_is(b, PW_STRING))
        return repeat(m, pw_text(b), pw_number(a));
    if (pw_is(a, PW_OBJECT) && pw_is(b, PW_OBJECT))
        return merge_deep(m, a, b);
    return bad_operands(m, a, b, "multiplied");
}

static pw_value divide(pw_expr_machine *m, pw_value a, pw_value b)
{
    if (pw_is(a, PW_STRING) && pw_is(b, PW_STRING))
        return pw_expr_split(m, pw_text(a), pw_text(b));
    if (!pw_is(a, PW_NUMBER) || !pw_is(b, PW_NUMBER))
        return bad_operands(m, a, b, "divided");
    double divisor = pw_number(b);
    if (divisor == 0)
        return bad_operands(m, a, b, "divided because the divisor is zero");
    int64_t x, y;
    if (exact(a, &x) && exact(b, &y) && y != -1 && x % y == 0)
        return pw_int(x / y);
    return pw_expr_number(m, pw_number(a) / divisor);
}

/* To an integer, cut and within 64 bits. */
static int64_t clamped(pw_value v)
{
    int64_t i;
    if (exact(v, &i))
        return i;
    double d = pw_number(v);
    if (d >= 9223372036854775808.0)
        return INT64_MAX;
    return d < -9223372036854775808.0 ? INT64_MIN : (int64_t)d;
}

static pw_value modulo(pw_expr_machine *m, pw_value a, pw_value b)
{
    if (!pw_is(a, PW_NUMBER) || !pw_is(b, PW_NUMBER))
        return bad_operands(m, a, b, "divided (remainder)");
    if (isnan(pw_number(a)) || isnan(pw_number(b)))
        return pw_expr_number(m, (double)NAN);
    int64_t x = clamped(a), y = clamped(b);
    if (y == 0)
        return bad_operands(m, a, b, "divided (remainder) because the divisor is zero");
    if (y == -1) /* INT64_MIN % -1 is not defined in C */
        return pw_int(0);
    return pw_int(x % (y == INT64_MIN ? y : y < 0 ? -y : y));
}

pw_value pw_expr_negate(pw_expr_machine *m, pw_value v)
{
    char text[PW_DUMP_SIZE];
    int64_t i;
    pw_expr_charge_number(m, v);
    if (!pw_is(v, PW_NUMBER))
        return pw_expr_throw(m, "%s (%s) cannot be negated", pw_type_name(v),
                             pw_expr_dump(m, v, text));
    if (exact(v, &i) && i != 0 && i != INT64_MIN)
        return pw_int(-i);
    if (v.form == PW_FORM_LITERAL && v.count > 0) { /* its digits stay */
        pw_str literal = { v.as.text, v.count };
        char *flipped = pw_arena_alloc(m->arena, literal.len + 1);
        if (literal.ptr[0] == '-') {
            v.as.text = literal.ptr + 1;
            v.count--;
            return v;
        }
        flipped[0] = '-';
        memcpy(flipped + 1, literal.ptr, literal.len);
        v.as.text = flipped;
        v.count++;
        return v;
    }
    return pw_expr_number(m, -pw_number(v));
}

pw_value pw_expr_binary(pw_expr_machine *m, unsigned op, pw_value a, pw_value b)
{
    if (op == PW_OP_ADD)
        return pw_expr_add(m, a, b);
    pw_expr_charge_number(m, a);
    pw_expr_charge_number(m, b);
    switch ((pw_op)op) {
    case PW_OP_ADD:
    case PW_OP_SUBTRACT:
        return subtract(m, a, b);
    case PW_OP_MULTIPLY:
        return multiply(m, a, b);
    case PW_OP_DIVIDE:
        return divide(m, a, b);
    case PW_OP_MODULO:
        return modulo(m, a, b);
    case PW_OP_EQUAL:
    case PW_OP_NOT_EQUAL:
    case PW_OP_LESS:
    case PW_OP_LESS_EQUAL:
    case PW_OP_GREATER:
    case PW_OP_GREATER_EQUAL:
        return compared(m, op, a, b);
    case PW_OP_ALTERNATIVE:
        break;
    }
    PW_ASSERT(false); /* // is not an instruction of arithmetic */
    return pw_null();
}
