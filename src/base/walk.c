/* walk.c - what goes through nested values: comparing, copying, measuring. Each keeps its own
 * stack of frames, one per level, so that depth costs heap and never C stack. */
#include "base/payload_internal.h"
#include "base/value_internal.h"

enum { LOCAL_FRAMES = 32 };

void *pw_stack_push(pw_stack *stack)
{
    if (stack->depth == stack->size) {
        size_t bytes = stack->size * stack->frame_size;
        char *larger = stack->on_heap ? pw_realloc(stack->frames, 2 * bytes) : pw_alloc(2 * bytes);
        if (!larger)
            return NULL;
        if (!stack->on_heap)
            memcpy(larger, stack->frames, bytes);
        stack->frames = larger;
        stack->size *= 2;
        stack->on_heap = true;
    }
    return stack->frames + stack->depth++ * stack->frame_size;
}

void pw_stack_done(pw_stack *stack)
{
    if (stack->on_heap)
        pw_free(stack->frames);
    stack->on_heap = false;
    stack->depth = 0;
}

/* ---- comparing */

typedef struct compare_frame {
    pw_value a, b; /* both arrays, or both objects with the same keys */
    uint32_t at;
    pw_cursor in_a, in_b; /* of objects */
} compare_frame;

static int compare_counts(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int compare_keys(const compare_frame *frame)
{
    pw_cursor in_a = frame->in_a, in_b = frame->in_b;
    uint32_t common = frame->a.count < frame->b.count ? frame->a.count : frame->b.count;
    for (uint32_t i = 0; i < common; i++) {
        int order =
            pw_str_cmp(pw_cursor_next(&in_a, frame->a)->key, pw_cursor_next(&in_b, frame->b)->key);
        if (order != 0)
            return order;
    }
    return compare_counts(frame->a.count, frame->b.count);
}

static bool same_container(pw_value a, pw_value b)
{
    return a.count == b.count &&
           (a.type == PW_ARRAY ? a.as.items == b.as.items : a.as.object == b.as.object);
}

/* Compares what can be told without going down; 0 with a frame pushed: not yet known. */
static int compare_here(pw_stack *stack, pw_value a, pw_value b)
{
    if (a.type != b.type)
        return a.type < b.type ? -1 : 1;
    switch ((pw_type)a.type) {
    case PW_NONE:
    case PW_NULL:
    case PW_FALSE:
    case PW_TRUE:
        return 0;
    case PW_NUMBER:
        return pw_number_compare(a, b);
    case PW_STRING:
        return pw_str_cmp(pw_text(a), pw_text(b));
    case PW_ARRAY:
    case PW_OBJECT:
        break;
    }
    if (same_container(a, b))
        return 0;
    compare_frame *frame = pw_stack_push(stack);
    PW_ASSERT(frame != NULL); /* an order cannot fail: deep data and no memory stop the process */
    frame->a = a;
    frame->b = b;
    frame->at = 0;
    if (a.type == PW_ARRAY)
        return 0;
    pw_cursor_start(&frame->in_a, a);
    pw_cursor_start(&frame->in_b, b);
    return compare_keys(frame);
}

int pw_compare(pw_value a, pw_value b)
{
    compare_frame local[LOCAL_FRAMES];
    pw_stack stack = PW_STACK_OF(local);
    int order = compare_here(&stack, a, b);
    compare_frame *frame = NULL;
    while (order == 0 && (frame = pw_stack_top(&stack)) != NULL) {
        uint32_t at = frame->at++;
        if (at == frame->a.count || at == frame->b.count) {
            order = compare_counts(frame->a.count, frame->b.count);
            stack.depth--;
        } else if (frame->a.type == PW_ARRAY) {
            order = compare_here(&stack, frame->a.as.items[at], frame->b.as.items[at]);
        } else {
            const pw_member *in_a = pw_cursor_next(&frame->in_a, frame->a);
            const pw_member *in_b = pw_cursor_next(&frame->in_b, frame->b);
            order = compare_here(&stack, in_a->value, in_b->value);
        }
    }
    pw_stack_done(&stack);
    return order;
}

bool pw_equal(pw_value a, pw_value b)
{
    if (a.type != b.type || (a.type >= PW_STRING && a.count != b.count))
        return false;
    return pw_compare(a, b) == 0;
}

/* ---- copying */

typedef struct copy_frame {
    pw_value from;
    union {
        pw_value *items;
        pw_object *object;
    } to;
    uint32_t at;
} copy_frame;

typedef struct copier {
    pw_arena *arena;
    pw_stack stack;
    pw_copying *copying; /* NULL: no value is known */
} copier;

static bool copy_text(copier *c, pw_value *to, pw_value from)
{
    pw_str copy = pw_arena_str(c->arena, (pw_str){ from.as.text, from.count });
    *to = from;
    to->as.text = copy.ptr;
    return copy.ptr != NULL;
}

/* A container with room for copies, to be filled by way of the frame. */
static bool copy_container(copier *c, pw_value *to, pw_value from)
{
    *to = from;
    copy_frame frame = { .from = from };
    if (from.type == PW_ARRAY) {
        if (from.count == 0)
            return true;
        frame.to.items = pw_arena_alloc(c->arena, from.count * sizeof(pw_value));
        to->as.items = frame.to.items;
        if (!frame.to.items)
            return false;
    } else {
        pw_object *object = pw_object_room(c->arena, from.count);
        if (!object)
            return false;
        pw_object_copy_index(object, from);
        frame.to.object = object;
        to->as.object = object;
    }
    copy_frame *pushed = pw_stack_push(&c->stack);
    if (pushed)
        *pushed = frame;
    return pushed != NULL;
}

static bool copy_parts(copier *c, pw_value *to, pw_value from)
{
    if (from.type >= PW_ARRAY)
        return copy_container(c, to, from);
    if (from.type == PW_STRING || (from.type == PW_NUMBER && from.form == PW_FORM_LITERAL))
        return copy_text(c, to, from);
    *to = from;
    return true;
}

static bool copy_one(copier *c, pw_value *to, pw_value from)
{
    pw_value *known = c->copying ? pw_copying_place(c->copying, from) : NULL;
    if (!known)
        return copy_parts(c, to, from);
    if (!pw_is(*known, PW_NONE)) {
        *to = *known;
        return true;
    }
    return copy_parts(c, to, from) && pw_copying_keep(c->copying, known, from, *to);
}

/* The next part of the container on top. */
static bool copy_step(copier *c)
{
    copy_frame *frame = pw_stack_top(&c->stack);
    uint32_t at = frame->at++;
    if (at == frame->from.count) {
        c->stack.depth--;
        return true;
    }
    if (frame->from.type == PW_ARRAY)
        return copy_one(c, &frame->to.items[at], frame->from.as.items[at]);
    const pw_member *from = &frame->from.as.object->members[at];
    pw_member *to = &frame->to.object->members[at];
    to->key = pw_arena_str(c->arena, from->key);
    return to->key.ptr && copy_one(c, &to->value, from->value);
}

pw_value pw_copy_with(pw_arena *arena, pw_value v, pw_copying *copying)
{
    copy_frame local[LOCAL_FRAMES];
    copier c = { .arena = arena, .stack = PW_STACK_OF(local), .copying = copying };
    pw_value copy = { .type = PW_NONE };
    jmp_buf *guard = pw_arena_guard(arena, NULL); /* a jump would lose the stack */
    bool good = copy_one(&c, &copy, v);
    while (good && c.stack.depth)
        good = copy_step(&c);
    pw_stack_done(&c.stack);
    (void)pw_arena_guard(arena, guard);
    if (good)
        return copy;
    (void)pw_arena_fail(arena, false);
    return (pw_value){ .type = PW_NONE };
}

pw_value pw_copy(pw_arena *arena, pw_value v)
{
    return pw_copy_with(arena, v, NULL);
}

/* ---- measuring */

typedef struct measure_frame {
    pw_value v;
    uint32_t at;
} measure_frame;

/* Bytes of the value itself, without what is nested in it. */
static size_t own_bytes(pw_value v)
{
    switch ((pw_type)v.type) {
    case PW_NONE:
    case PW_NULL:
    case PW_FALSE:
    case PW_TRUE:
        return 0;
    case PW_NUMBER:
        return v.form == PW_FORM_LITERAL ? v.count : 0;
    case PW_STRING:
        return v.count;
    case PW_ARRAY:
        return v.count * sizeof(pw_value);
    case PW_OBJECT:
        return sizeof(pw_object) + v.count * sizeof(pw_member) +
               (v.count > PW_OBJECT_SMALL ? v.count * sizeof(uint32_t) : 0);
    }
    return 0;
}

size_t pw_footprint(pw_value v, size_t enough)
{
    measure_frame local[LOCAL_FRAMES];
    pw_stack stack = PW_STACK_OF(local);
    size_t bytes = own_bytes(v);
    pw_value inner = v;
    for (;;) {
        if (bytes > enough)
            break;
        if (inner.type >= PW_ARRAY && inner.count) {
            measure_frame *pushed = pw_stack_push(&stack);
            if (!pushed) { /* cannot be told: more than enough */
                bytes = SIZE_MAX;
                break;
            }
            *pushed = (measure_frame){ inner, 0 };
        }
        measure_frame *frame = pw_stack_top(&stack);
        while (frame && frame->at == frame->v.count) {
            stack.depth--;
            frame = pw_stack_top(&stack);
        }
        if (!frame)
            break;
        uint32_t at = frame->at++;
        if (frame->v.type == PW_ARRAY) {
            inner = frame->v.as.items[at];
        } else {
            bytes += frame->v.as.object->members[at].key.len;
            inner = frame->v.as.object->members[at].value;
        }
        bytes += own_bytes(inner);
    }
    pw_stack_done(&stack);
    return bytes;
}

size_t pw_depth(pw_value v, size_t enough)
{
    measure_frame local[LOCAL_FRAMES];
    pw_stack stack = PW_STACK_OF(local);
    size_t deepest = 0;
    for (pw_value inner = v;;) {
        if (inner.type >= PW_ARRAY) {
            if (stack.depth + 1 > deepest)
                deepest = stack.depth + 1;
            measure_frame *pushed = deepest > enough ? NULL : pw_stack_push(&stack);
            if (!pushed) {
                deepest = deepest > enough ? deepest : SIZE_MAX;
                break;
            }
            *pushed = (measure_frame){ inner, 0 };
        }
        measure_frame *frame = pw_stack_top(&stack);
        while (frame && frame->at == frame->v.count) {
            stack.depth--;
            frame = pw_stack_top(&stack);
        }
        if (!frame)
            break;
        uint32_t at = frame->at++;
        inner = frame->v.type == PW_ARRAY ? frame->v.as.items[at]
                                          : frame->v.as.object->members[at].value;
    }
    pw_stack_done(&stack);
    return deepest;
}
