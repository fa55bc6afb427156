/* compile_alone.c - which updates of a `reduce` may change its state in place.
 *
 * `reduce .[] as $x ({}; .[$x.k] += 1)` gives a key that is there another value, again and again. A
 * value never changes for whoever holds it, so the object would have to be copied each time. But
 * here nobody else holds it: the state goes from one round to the next and is shown to nothing in
 * between. This is what is looked for: an update that consists of assignments to single places of
 * `.`, whose keys and right sides have one output each and keep no hold of `.` itself. What is made
 * in one round is then still held alone in the next (OWN, KEEP).
 *
 * If a key or a right side reads a part of `.`, the part may be stored elsewhere; then only the
 * outermost container is known to be held alone. */
#include "expr/compile_internal.h"

typedef enum use { USE_NOTHING, USE_PARTS, USE_WHOLE } use; /* of `.`; WHOLE: or we do not know */

static use most(use a, use b)
{
    return a > b ? a : b;
}

static use use_of(const pw_scope *scope, const pw_node *n);

static use use_of_list(const pw_scope *scope, const pw_node *list)
{
    use all = USE_NOTHING;
    for (; list; list = list->next)
        all = most(all, use_of(scope, list));
    return all;
}

/* Behind the first stage of a pipe `.` is something else: what it is used for does not matter, but
 * there must be one output. */
static bool gives_one(const pw_scope *scope, const pw_node *n)
{
    if (n->kind == PW_NODE_CALL)
        return n->count == 0 && !pw_scope_function(scope, n->name, 0) &&
               pw_builtin_find(n->name, 0) >= 0;
    return n->kind == PW_NODE_IDENTITY || n->kind == PW_NODE_FORMAT ||
           use_of(scope, n) != USE_WHOLE;
}

static use use_of_pipe(const pw_scope *scope, const pw_node *n)
{
    use first = use_of(scope, n->list);
    for (const pw_node *stage = n->list->next; stage; stage = stage->next)
        if (!gives_one(scope, stage))
            return USE_WHOLE;
    return first;
}

static use use_of(const pw_scope *scope, const pw_node *n)
{
    switch ((pw_node_kind)n->kind) {
    case PW_NODE_CONST:
    case PW_NODE_VARIABLE:
        return USE_NOTHING;
    case PW_NODE_INDEX:
        if (n->optional)
            return USE_WHOLE;
        return most(n->a->kind == PW_NODE_IDENTITY ? USE_PARTS : use_of(scope, n->a),
                    use_of(scope, n->b));
    case PW_NODE_BINARY:
    case PW_NODE_AND:
    case PW_NODE_OR:
        return most(use_of(scope, n->a), use_of(scope, n->b));
    case PW_NODE_NEGATE:
        return use_of(scope, n->a);
    case PW_NODE_IF:
        return most(use_of(scope, n->a),
                    n->c ? most(use_of(scope, n->b), use_of(scope, n->c)) : USE_WHOLE);
    case PW_NODE_STRING:
        return use_of_list(scope, n->list);
    case PW_NODE_ARRAY:
        return n->a ? use_of(scope, n->a) : USE_NOTHING;
    case PW_NODE_OBJECT:
        return use_of_list(scope, n->list);
    case PW_NODE_MEMBER:
        return most(use_of(scope, n->a), use_of(scope, n->b));
    case PW_NODE_PIPE:
        return use_of_pipe(scope, n);
    case PW_NODE_IDENTITY:
    case PW_NODE_RECURSE:
    case PW_NODE_FORMAT:
    case PW_NODE_SLICE: /* shares the items of its array */
    case PW_NODE_EACH:
    case PW_NODE_TRY:
    case PW_NODE_COMMA:
    case PW_NODE_ALTERNATIVE:
    case PW_NODE_ASSIGN:
    case PW_NODE_UPDATE:
    case PW_NODE_OP_ASSIGN:
    case PW_NODE_REDUCE:
    case PW_NODE_FOREACH:
    case PW_NODE_DEF:
    case PW_NODE_CALL:
    case PW_NODE_AS:
    case PW_NODE_LABEL:
    case PW_NODE_BREAK:
        break;
    }
    return USE_WHOLE;
}

/* The keys of a path to one place: `.a[$k].b`. */
static use use_of_place(const pw_scope *scope, const pw_node *n)
{
    use keys = USE_NOTHING;
    for (; n->kind == PW_NODE_INDEX && !n->optional; n = n->a)
        keys = most(keys, use_of(scope, n->b));
    return n->kind == PW_NODE_IDENTITY ? keys : USE_WHOLE;
}

static use use_of_update(const pw_scope *scope, const pw_node *n)
{
    use all = USE_NOTHING;
    switch ((int)n->kind) {
    case PW_NODE_ASSIGN:
    case PW_NODE_OP_ASSIGN:
        return most(use_of_place(scope, n->a), use_of(scope, n->b));
    case PW_NODE_UPDATE: /* its right side sees what is at the place, and gives what is to be there
                          */
        return use_of_place(scope, n->a);
    case PW_NODE_PIPE:
        for (const pw_node *stage = n->list; stage; stage = stage->next)
            all = most(all, use_of_update(scope, stage));
        return all;
    case PW_NODE_IF:
        all = most(use_of(scope, n->a), use_of_update(scope, n->b));
        return n->c && n->c->kind != PW_NODE_IDENTITY ? most(all, use_of_update(scope, n->c)) : all;
    default:
        return USE_WHOLE;
    }
}

static void mark(pw_node *n, uint32_t slot, uint32_t levels)
{
    if (n->kind == PW_NODE_ASSIGN || n->kind == PW_NODE_OP_ASSIGN || n->kind == PW_NODE_UPDATE) {
        n->kept_slot = (uint16_t)slot;
        n->kept_levels = (uint8_t)levels;
    } else if (n->kind == PW_NODE_PIPE) {
        for (pw_node *stage = n->list; stage; stage = stage->next)
            mark(stage, slot, levels);
    } else if (n->kind == PW_NODE_IF) {
        mark(n->b, slot, levels);
        if (n->c)
            mark(n->c, slot, levels);
    }
}

void pw_compile_alone(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *update)
{
    use all = use_of_update(scope, update);
    if (all == USE_WHOLE)
        return;
    uint32_t levels = all == USE_PARTS ? 1 : PW_KEPT_LEVELS;
    uint32_t slot = pw_emit_slot(c, code, levels);
    (void)pw_emit(c, code, PW_DO_NULLS, slot, levels);
    mark(update, slot, levels);
}
