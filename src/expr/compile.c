/* compile.c - the tree to instructions.
 *
 * A filter is compiled so that it finds its input in the accumulator and leaves one output there;
 * what makes several outputs leaves a fork behind, to which BACKTRACK returns. Operands are
 * evaluated as in jq: the right one first, so that it is the outer loop. The left spine of
 * operators and suffixes, which can be as long as the source, is walked in a loop.
 *
 * Code is compiled twice if it turns out that it records paths: only then must subexpressions, in
 * which no path is recorded, be marked. */
#include "expr/compile_internal.h"

/* ---- instructions */

uint32_t pw_emit(pw_compiler *c, pw_code *code, pw_insn_op op, uint32_t a, uint32_t b)
{
    enum { CODE_MAX = 4u << 20 };
    if (a > UINT16_MAX)
        pw_syntax_fail(c->syntax, 0, "too large: more than 65535 variables in one function");
    if (++c->code_total > CODE_MAX)
        pw_syntax_fail(c->syntax, 0, "too large: more than %d instructions", (int)CODE_MAX);
    if (code->count == code->size) {
        uint32_t size = code->size ? code->size * 2 : 16;
        code->insns = pw_arena_grow(c->scratch, code->insns, code->size * sizeof(pw_insn),
                                    size * sizeof(pw_insn));
        code->size = size;
    }
    code->insns[code->count] = (pw_insn){ .op = (uint16_t)op, .a = (uint16_t)a, .b = b };
    return code->count++;
}

void pw_emit_here(pw_code *code, uint32_t from)
{
    code->insns[from].b = code->count;
}

uint32_t pw_emit_slot(pw_compiler *c, pw_code *code, uint32_t count)
{
    uint32_t slot = code->slots;
    if (slot + count > UINT16_MAX)
        pw_syntax_fail(c->syntax, 0, "too large: more than 65535 variables in one function");
    code->slots += count;
    return slot;
}

uint32_t pw_emit_constant(pw_compiler *c, pw_value value)
{
    if (c->constant_count == c->constant_size) {
        uint32_t size = c->constant_size ? c->constant_size * 2 : 16;
        c->constants = pw_arena_grow(c->scratch, c->constants, c->constant_size * sizeof(pw_value),
                                     size * sizeof(pw_value));
        c->constant_size = size;
    }
    c->constants[c->constant_count] = value;
    return c->constant_count++;
}

uint32_t pw_emit_level(const pw_code *from, const pw_code *to)
{
    uint32_t level = 0;
    for (; from != to; from = from->parent) {
        PW_ASSERT(from);
        level++;
    }
    return level;
}

pw_code *pw_code_new(pw_compiler *c, pw_code *parent, uint32_t slots)
{
    pw_code *code = PW_NEW(c->scratch, pw_code);
    code->parent = parent;
    code->slots = slots;
    code->index = c->function_count++;
    *c->last = code;
    c->last = &code->next;
    return code;
}

pw_scope *pw_scope_add(pw_compiler *c, const pw_scope *outer, int kind, pw_str name, pw_code *code,
                       uint32_t slot)
{
    pw_scope *scope = PW_NEW(c->scratch, pw_scope);
    scope->kind = (unsigned)kind;
    scope->name = name;
    scope->code = code;
    scope->slot = slot;
    scope->outer = outer;
    return scope;
}

static const pw_scope *find(const pw_scope *scope, bool label, pw_str name)
{
    for (; scope; scope = scope->outer) {
        bool kind = label ? scope->kind == PW_SCOPE_LABEL
                          : scope->kind == PW_SCOPE_VARIABLE || scope->kind == PW_SCOPE_GLOBAL;
        if (kind && pw_str_eq(scope->name, name))
            return scope;
    }
    return NULL;
}

/* ---- constants */

/* Whether n is the same value for every input; folds arrays and objects of such. */
static bool fold(pw_compiler *c, pw_node *n)
{
    if (n->kind == PW_NODE_CONST)
        return true;
    if (n->varies)
        return false;
    n->varies = true; /* until proved otherwise */
    if (n->kind == PW_NODE_PIPE && n->count == 1 && fold(c, n->list)) {
        n->value = n->list->value;
    } else if (n->kind == PW_NODE_ARRAY && !n->a) {
        n->value = pw_array_ref(NULL, 0);
    } else if (n->kind == PW_NODE_ARRAY &&
               (n->a->kind == PW_NODE_CONST || n->a->kind == PW_NODE_COMMA)) {
        pw_array_builder items = { .arena = c->scratch };
        pw_node *item = n->a->kind == PW_NODE_COMMA ? n->a->list : n->a;
        for (; item; item = item->next) {
            if (!fold(c, item))
                return false;
            pw_array_add(&items, item->value);
            if (n->a == item)
                break;
        }
        n->value = pw_array_end(&items);
    } else if (n->kind == PW_NODE_OBJECT) {
        pw_object_builder members = { .arena = c->scratch };
        for (pw_node *member = n->list; member; member = member->next) {
            if (!fold(c, member->a) || !pw_is(member->a->value, PW_STRING) || !fold(c, member->b))
                return false;
            pw_object_add(&members, pw_text(member->a->value), member->b->value);
        }
        n->value = pw_object_end(&members);
    } else {
        return false;
    }
    n->kind = PW_NODE_CONST;
    return true;
}

/* ---- binding */

/* All names that the patterns bind, each once, as variables of `code`. */
static const pw_scope *declare(pw_compiler *c, pw_code *code, const pw_scope *scope,
                               const pw_scope *before, const pw_pattern *pattern)
{
    for (; pattern; pattern = pattern->next) {
        if (pattern->name.len > 0) {
            bool known = false;
            for (const pw_scope *s = scope; s != before && !known; s = s->outer)
                known = pw_str_eq(s->name, pattern->name);
            if (!known)
                scope = pw_scope_add(c, scope, PW_SCOPE_VARIABLE, pattern->name, code,
                                     pw_emit_slot(c, code, 1));
        }
        if (pattern->list)
            scope = declare(c, code, scope, before, pattern->list);
        if (pattern->inner)
            scope = declare(c, code, scope, before, pattern->inner);
    }
    return scope;
}

static void store_variable(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_str name)
{
    const pw_scope *variable = find(scope, false, name);
    PW_ASSERT(variable);
    (void)pw_emit(c, code, PW_DO_STORE, variable->slot, 0);
}

/* acc: the value to take apart; left as it was, unless the pattern is a variable. */
static void compile_pattern(pw_compiler *c, pw_code *code, const pw_scope *scope,
                            const pw_pattern *pattern)
{
    if (pattern->kind == PW_PATTERN_VARIABLE) {
        store_variable(c, code, scope, pattern->name);
        return;
    }
    int64_t at = 0;
    for (const pw_pattern *part = pattern->list; part; part = part->next, at++) {
        (void)pw_emit(c, code, PW_DO_PUSH, 0, 0);
        if (pattern->kind == PW_PATTERN_ARRAY) {
            (void)pw_emit(c, code, PW_DO_INDEX_K, 0, pw_emit_constant(c, pw_int(at)));
            compile_pattern(c, code, scope, part);
        } else {
            if (fold(c, part->key)) {
                (void)pw_emit(c, code, PW_DO_INDEX_K, 0, pw_emit_constant(c, part->key->value));
            } else {
                (void)pw_emit(c, code, PW_DO_PUSH, 0, 0);
                pw_compile(c, code, scope, part->key);
                (void)pw_emit(c, code, PW_DO_SWAP, 0, 0);
                (void)pw_emit(c, code, PW_DO_INDEX, 0, 0);
            }
            if (part->name.len > 0)
                store_variable(c, code, scope, part->name);
            if (part->inner)
                compile_pattern(c, code, scope, part->inner);
        }
        (void)pw_emit(c, code, PW_DO_POP, 0, 0);
    }
}

/* acc: the value. Binds the names of the first alternative that fits, the others' to null. */
static const pw_scope *compile_bind(pw_compiler *c, pw_code *code, const pw_scope *scope,
                                    const pw_pattern *first)
{
    const pw_scope *inner = scope;
    uint32_t slot = code->slots;
    for (const pw_pattern *p = first; p; p = p->alternative)
        inner = declare(c, code, inner, scope, p);
    uint32_t count = code->slots - slot, jumps = 0, jump_count = 0;
    for (const pw_pattern *p = first; p; p = p->alternative) {
        uint32_t next = 0;
        if (first->alternative)
            (void)pw_emit(c, code, PW_DO_NULLS, slot, count);
        if (p->alternative)
            next = pw_emit(c, code, PW_DO_TRY_NEXT, 0, 0);
        compile_pattern(c, code, inner, p);
        if (p->alternative) { /* chained by b until the end is known */
            jumps = pw_emit(c, code, PW_DO_JUMP, 0, jumps);
            jump_count++;
            pw_emit_here(code, next);
        }
    }
    while (jump_count-- > 0) {
        uint32_t next = code->insns[jumps].b;
        pw_emit_here(code, jumps);
        jumps = next;
    }
    return inner;
}

static void compile_as(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n)
{
    (void)pw_emit(c, code, PW_DO_PUSH, c->track, 0);
    pw_compile(c, code, scope, n->a);
    const pw_scope *inner = compile_bind(c, code, scope, n->pattern);
    (void)pw_emit(c, code, PW_DO_POP, c->track, 0);
    pw_compile(c, code, inner, n->b);
}

static void compile_reduce(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n)
{
    uint32_t state = pw_emit_slot(c, code, 1);
    (void)pw_emit(c, code, PW_DO_PUSH, 0, 0);
    pw_compile(c, code, scope, n->b);
    (void)pw_emit(c, code, PW_DO_STORE, state, 0);
    (void)pw_emit(c, code, PW_DO_POP, 0, 0);
    pw_compile_alone(c, code, scope, n->c);
    uint32_t fork = pw_emit(c, code, PW_DO_FORK, 0, 0);
    pw_compile(c, code, scope, n->a);
    const pw_scope *inner = compile_bind(c, code, scope, n->pattern);
    (void)pw_emit(c, code, PW_DO_TAKE, state, 0);
    pw_compile(c, code, inner, n->c);
    (void)pw_emit(c, code, PW_DO_STORE, state, 0);
    (void)pw_emit(c, code, PW_DO_BACKTRACK, 0, 0);
    pw_emit_here(code, fork);
    (void)pw_emit(c, code, PW_DO_TAKE, state, 0);
}

static void compile_foreach(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n)
{
    uint32_t state = pw_emit_slot(c, code, 1);
    (void)pw_emit(c, code, PW_DO_PUSH, 0, 0);
    pw_compile(c, code, scope, n->b);
    (void)pw_emit(c, code, PW_DO_STORE, state, 0);
    (void)pw_emit(c, code, PW_DO_POP, 0, 0);
    pw_compile(c, code, scope, n->a);
    const pw_scope *inner = compile_bind(c, code, scope, n->pattern);
    (void)pw_emit(c, code, PW_DO_TAKE, state, 0);
    pw_compile(c, code, inner, n->c);
    (void)pw_emit(c, code, PW_DO_STORE, state, 0);
    if (n->d)
        pw_compile(c, code, inner, n->d);
}

/* ---- assignment */

/* acc: the document. Runs the left side of n over it; what follows has the path in acc. Returns the
 * fork whose continuation comes when there are no more paths. */
static uint32_t each_path(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n,
                          uint32_t document)
{
    c->wants_track = true;
    (void)pw_emit(c, code, PW_DO_STORE, document, 0);
    uint32_t fork = pw_emit(c, code, PW_DO_FORK, 0, 0);
    (void)pw_emit(c, code, PW_DO_OWN, n->kept_slot, n->kept_levels); /* until the fork is back */
    (void)pw_emit(c, code, PW_DO_PATH_BEGIN, 0, 0);
    pw_compile(c, code, scope, n->a);
    (void)pw_emit(c, code, PW_DO_PATH_END, 0, 0);
    return fork;
}

/* Behind the last path: what was made is known to be held alone by the next round of a reduce. */
static void keep(pw_compiler *c, pw_code *code, const pw_node *n)
{
    if (n->kept_levels > 0)
        (void)pw_emit(c, code, PW_DO_KEEP, n->kept_slot, n->kept_levels);
}

/* a = b, a op= b: for each b, all paths of a. */
static void compile_assign(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n)
{
    uint32_t document = pw_emit_slot(c, code, 1), value = pw_emit_slot(c, code, 1);
    uint32_t path = pw_emit_slot(c, code, 1);
    (void)pw_emit(c, code, PW_DO_PUSH, c->track, 0);
    pw_compile(c, code, scope, n->b);
    (void)pw_emit(c, code, PW_DO_STORE, value, 0);
    (void)pw_emit(c, code, PW_DO_POP, c->track, 0);
    uint32_t fork = each_path(c, code, scope, n, document);
    if (n->kind == PW_NODE_ASSIGN) {
        (void)pw_emit(c, code, PW_DO_SET, document, value);
    } else {
        (void)pw_emit(c, code, PW_DO_GET, document, path);
        if (n->op == PW_OP_ALTERNATIVE) {
            (void)pw_emit(c, code, PW_DO_PUSH, c->track, 0);
            uint32_t other = pw_emit(c, code, PW_DO_BRANCH, c->track, 0);
            uint32_t end = pw_emit(c, code, PW_DO_JUMP, 0, 0);
            pw_emit_here(code, other);
            (void)pw_emit(c, code, PW_DO_LOAD, 0, value);
            pw_emit_here(code, end);
        } else {
            (void)pw_emit(c, code, PW_DO_PUSH, c->track, 0);
            (void)pw_emit(c, code, PW_DO_LOAD, 0, value);
            (void)pw_emit(c, code, PW_DO_SWAP, 0, 0);
            (void)pw_emit(c, code, PW_DO_BINARY, (uint32_t)n->op | (c->track ? 0x100u : 0), 0);
        }
        (void)pw_emit(c, code, PW_DO_PUT, document, path);
    }
    (void)pw_emit(c, code, PW_DO_BACKTRACK, 0, 0);
    pw_emit_here(code, fork);
    keep(c, code, n);
    (void)pw_emit(c, code, PW_DO_TAKE, document, 0);
}

/* a |= b: the first output of b; none deletes the path. */
static void compile_update(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n)
{
    uint32_t document = pw_emit_slot(c, code, 1), path = pw_emit_slot(c, code, 1);
    uint32_t dropped = pw_emit_slot(c, code, 1), mark = pw_emit_slot(c, code, 1);
    (void)pw_emit(c, code, PW_DO_ARRAY_BEGIN, dropped, 0);
    uint32_t fork = each_path(c, code, scope, n, document);
    (void)pw_emit(c, code, PW_DO_GET, document, path);
    uint32_t none = pw_emit(c, code, PW_DO_MARK_ELSE, mark, 0);
    pw_compile(c, code, scope, n->b);
    (void)pw_emit(c, code, PW_DO_CUT, 0, mark);
    (void)pw_emit(c, code, PW_DO_PUT, document, path);
    (void)pw_emit(c, code, PW_DO_BACKTRACK, 0, 0);
    pw_emit_here(code, none);
    (void)pw_emit(c, code, PW_DO_DROP, dropped, path);
    (void)pw_emit(c, code, PW_DO_BACKTRACK, 0, 0);
    pw_emit_here(code, fork);
    keep(c, code, n);
    (void)pw_emit(c, code, PW_DO_TAKE, document, 0);
    (void)pw_emit(c, code, PW_DO_DELETE, dropped, 0);
}

/* ---- control */

static void compile_if(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n)
{
    uint32_t ends = UINT32_MAX;
    for (;;) { /* elif and else-if chains are a loop */
        (void)pw_emit(c, code, PW_DO_PUSH, c->track, 0);
        pw_compile(c, code, scope, n->a);
        uint32_t branch = pw_emit(c, code, PW_DO_BRANCH, c->track, 0);
        pw_compile(c, code, scope, n->b);
        ends = pw_emit(c, code, PW_DO_JUMP, 0, ends);
        pw_emit_here(code, branch);
        if (!n->c || n->c->kind != PW_NODE_IF)
            break;
        n = n->c;
    }
    if (n->c)
        pw_compile(c, code, scope, n->c);
    while (ends != UINT32_MAX) {
        uint32_t next = code->insns[ends].b;
        pw_emit_here(code, ends);
        ends = next;
    }
}

static void compile_comma(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n)
{
    uint32_t ends = UINT32_MAX;
    for (pw_node *part = n->list; part; part = part->next) {
        if (!part->next) {
            pw_compile(c, code, scope, part);
            break;
        }
        uint32_t fork = pw_emit(c, code, PW_DO_FORK, 0, 0);
        pw_compile(c, code, scope, part);
        ends = pw_emit(c, code, PW_DO_JUMP, 0, ends);
        pw_emit_here(code, fork);
    }
    while (ends != UINT32_MAX) {
        uint32_t next = code->insns[ends].b;
        pw_emit_here(code, ends);
        ends = next;
    }
}

static void compile_label(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n)
{
    uint32_t mark = pw_emit_slot(c, code, 1);
    (void)pw_emit(c, code, PW_DO_MARK, mark, 0);
    pw_compile(c, code, pw_scope_add(c, scope, PW_SCOPE_LABEL, n->name, code, mark), n->a);
}

static void compile_break(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n)
{
    const pw_scope *label = find(scope, true, n->name);
    if (!label)
        pw_syntax_fail(c->syntax, n->pos, "$*label-" PW_FMT " is not defined", PW_ARG(n->name));
    (void)pw_emit(c, code, PW_DO_CUT, pw_emit_level(code, label->code), label->slot);
    (void)pw_emit(c, code, PW_DO_BACKTRACK, 0, 0);
}

/* ---- construction */

static void compile_array(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n)
{
    uint32_t array = pw_emit_slot(c, code, 1);
    (void)pw_emit(c, code, PW_DO_ARRAY_BEGIN, array, 0);
    uint32_t fork = pw_emit(c, code, PW_DO_FORK, 0, 0);
    if (c->track) {
        (void)pw_emit(c, code, PW_DO_PUSH, 1, 0);
        pw_compile(c, code, scope, n->a);
        (void)pw_emit(c, code, PW_DO_SWAP, 1, 0);
        (void)pw_emit(c, code, PW_DO_POP, 0, 0);
    } else {
        pw_compile(c, code, scope, n->a);
    }
    (void)pw_emit(c, code, PW_DO_ARRAY_ADD, array, 0);
    pw_emit_here(code, fork);
    (void)pw_emit(c, code, PW_DO_ARRAY_END, array, 0);
}

void pw_compile_operand(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n)
{
    (void)pw_emit(c, code, PW_DO_PUSH, c->track, 0);
    pw_compile(c, code, scope, n);
    (void)pw_emit(c, code, PW_DO_SWAP, c->track, 0);
}

static void compile_object(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n)
{
    for (pw_node *member = n->list; member; member = member->next) {
        pw_compile_operand(c, code, scope, member->a);
        pw_compile_operand(c, code, scope, member->b);
    }
    (void)pw_emit(c, code, PW_DO_OBJECT, 0, n->count);
}

static unsigned format_id(pw_compiler *c, pw_str name, uint32_t pos)
{
    int id = pw_expr_format_id(name);
    if (id < 0)
        pw_syntax_fail(c->syntax, pos, PW_FMT " is not a valid format", PW_ARG(name));
    return (unsigned)id;
}

/* Parts from the last to the first, as jq's additions would. */
static void compile_string(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n)
{
    unsigned format = n->name.len > 0 ? format_id(c, n->name, n->pos) : 0;
    pw_node **parts = PW_NEW_ARRAY(c->scratch, pw_node *, n->count);
    uint32_t count = 0;
    for (pw_node *part = n->list; part; part = part->next)
        parts[count++] = part;
    for (uint32_t i = count; i-- > 0;) {
        (void)pw_emit(c, code, PW_DO_PUSH, c->track, 0);
        pw_compile(c, code, scope, parts[i]);
        if (parts[i]->interpolated)
            (void)pw_emit(c, code, PW_DO_FORMAT, 0, format);
        (void)pw_emit(c, code, PW_DO_SWAP, c->track, 0);
    }
    (void)pw_emit(c, code, PW_DO_CONCAT, 0, count);
}

/* ---- operators and suffixes: before and after their left operand */

static bool on_spine(const pw_node *n)
{
    switch ((pw_node_kind)n->kind) {
    case PW_NODE_INDEX:
    case PW_NODE_SLICE:
    case PW_NODE_EACH:
    case PW_NODE_TRY:
    case PW_NODE_BINARY:
    case PW_NODE_AND:
    case PW_NODE_OR:
        return true;
    case PW_NODE_IDENTITY:
    case PW_NODE_RECURSE:
    case PW_NODE_CONST:
    case PW_NODE_STRING:
    case PW_NODE_FORMAT:
    case PW_NODE_PIPE:
    case PW_NODE_COMMA:
    case PW_NODE_ALTERNATIVE:
    case PW_NODE_ASSIGN:
    case PW_NODE_UPDATE:
    case PW_NODE_OP_ASSIGN:
    case PW_NODE_NEGATE:
    case PW_NODE_IF:
    case PW_NODE_REDUCE:
    case PW_NODE_FOREACH:
    case PW_NODE_DEF:
    case PW_NODE_CALL:
    case PW_NODE_VARIABLE:
    case PW_NODE_AS:
    case PW_NODE_LABEL:
    case PW_NODE_BREAK:
    case PW_NODE_ARRAY:
    case PW_NODE_OBJECT:
    case PW_NODE_MEMBER:
        break;
    }
    return false;
}

typedef struct spine {
    struct spine *outer;
    pw_node *n;
    uint32_t slot; /* of a try */
    uint32_t jump; /* that needs a target afterwards */
} spine;

static void before_left(pw_compiler *c, pw_code *code, const pw_scope *scope, spine *s)
{
    pw_node *n = s->n;
    if (n->kind == PW_NODE_INDEX) {
        if (!fold(c, n->b))
            pw_compile_operand(c, code, scope, n->b);
    } else if (n->kind == PW_NODE_SLICE) { /* the start is the outer loop */
        if (n->b)
            pw_compile_operand(c, code, scope, n->b);
        if (n->c)
            pw_compile_operand(c, code, scope, n->c);
    } else if (n->kind == PW_NODE_TRY) {
        s->slot = pw_emit_slot(c, code, 1);
        s->jump = pw_emit(c, code, PW_DO_TRY, s->slot, 0);
    } else if (n->kind == PW_NODE_BINARY) {
        bool constant = fold(c, n->b);
        if (!constant || c->track)
            (void)pw_emit(c, code, PW_DO_PUSH, c->track, 0);
        if (!constant) {
            pw_compile(c, code, scope, n->b);
            (void)pw_emit(c, code, PW_DO_SWAP, 0, 0);
        }
    } else if (n->kind == PW_NODE_AND || n->kind == PW_NODE_OR) {
        (void)pw_emit(c, code, PW_DO_PUSH, c->track, 0);
    }
}

/* A constant right operand is not pushed: then only the input waits on the stack, and only while
 * paths are recorded. */
static void after_binary(pw_compiler *c, pw_code *code, pw_node *n)
{
    if (n->b->kind != PW_NODE_CONST) {
        (void)pw_emit(c, code, PW_DO_BINARY, (uint32_t)n->op | (c->track ? 0x100u : 0), 0);
        return;
    }
    (void)pw_emit(c, code, PW_DO_BINARY_K, (uint32_t)n->op | (c->track ? 0x100u : 0),
                  pw_emit_constant(c, n->b->value));
}

static void after_left(pw_compiler *c, pw_code *code, const pw_scope *scope, spine *s)
{
    pw_node *n = s->n;
    if (n->kind == PW_NODE_INDEX) {
        if (n->b->kind == PW_NODE_CONST)
            (void)pw_emit(c, code, PW_DO_INDEX_K, n->optional, pw_emit_constant(c, n->b->value));
        else
            (void)pw_emit(c, code, PW_DO_INDEX, n->optional, 0);
    } else if (n->kind == PW_NODE_SLICE) {
        uint32_t flags = (n->optional ? 1u : 0) | (n->c ? 2u : 0) | (n->b ? 4u : 0);
        (void)pw_emit(c, code, PW_DO_SLICE, flags, 0);
    } else if (n->kind == PW_NODE_EACH) {
        (void)pw_emit(c, code, PW_DO_EACH, n->optional, 0);
    } else if (n->kind == PW_NODE_TRY) {
        (void)pw_emit(c, code, PW_DO_TRY_END, s->slot, 0);
        if (n->b) {
            uint32_t end = pw_emit(c, code, PW_DO_JUMP, 0, 0);
            pw_emit_here(code, s->jump);
            pw_compile(c, code, scope, n->b);
            pw_emit_here(code, end);
        }
    } else if (n->kind == PW_NODE_BINARY) {
        after_binary(c, code, n);
    } else {
        bool and = n->kind == PW_NODE_AND;
        uint32_t branch = pw_emit(c, code, PW_DO_BRANCH, c->track, 0), end;
        if (and) {
            pw_compile(c, code, scope, n->b);
            (void)pw_emit(c, code, PW_DO_BOOL, 0, 0);
        } else {
            (void)pw_emit(c, code, PW_DO_CONST, 0, pw_emit_constant(c, pw_bool(true)));
        }
        end = pw_emit(c, code, PW_DO_JUMP, 0, 0);
        pw_emit_here(code, branch);
        if (and) {
            (void)pw_emit(c, code, PW_DO_CONST, 0, pw_emit_constant(c, pw_bool(false)));
        } else {
            pw_compile(c, code, scope, n->b);
            (void)pw_emit(c, code, PW_DO_BOOL, 0, 0);
        }
        pw_emit_here(code, end);
    }
}

static void compile_spine(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n)
{
    spine *top = NULL;
    for (; on_spine(n); n = n->a) {
        spine *s = PW_NEW(c->scratch, spine);
        s->n = n;
        s->outer = top;
        top = s;
        before_left(c, code, scope, s);
    }
    pw_compile(c, code, scope, n);
    for (; top; top = top->outer)
        after_left(c, code, scope, top);
}

/* a // b: the true ones of a; if there are none, b. */
static void compile_alternative(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n)
{
    uint32_t found = pw_emit_slot(c, code, 1);
    (void)pw_emit(c, code, PW_DO_NULLS, found, 1);
    uint32_t fork = pw_emit(c, code, PW_DO_FORK, 0, 0);
    pw_compile(c, code, scope, n->a);
    (void)pw_emit(c, code, PW_DO_FOUND, found, 0);
    uint32_t end = pw_emit(c, code, PW_DO_JUMP, 0, 0);
    pw_emit_here(code, fork);
    (void)pw_emit(c, code, PW_DO_IF_FOUND, found, 0);
    pw_compile(c, code, scope, n->b);
    pw_emit_here(code, end);
}

static void compile_variable(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n)
{
    const pw_scope *variable = find(scope, false, n->name);
    if (!variable && pw_str_is(n->name, "ENV"))
        pw_syntax_fail(c->syntax, n->pos,
                       "$ENV is not available here: an expression has no environment");
    if (!variable)
        pw_syntax_fail(c->syntax, n->pos, "$" PW_FMT " is not defined", PW_ARG(n->name));
    if (variable->kind == PW_SCOPE_GLOBAL) {
        c->slots_read |= 1ull << variable->slot;
        (void)pw_emit(c, code, PW_DO_GLOBAL, 0, variable->slot);
    } else {
        (void)pw_emit(c, code, PW_DO_LOAD, pw_emit_level(code, variable->code), variable->slot);
    }
}

static void compile_defs(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n)
{
    for (; n->kind == PW_NODE_DEF; n = n->a) {
        pw_scope *self = pw_scope_add(c, scope, PW_SCOPE_FUNCTION, n->def->name, NULL, 0);
        self->def = n->def;
        self->arity = n->def->arity;
        pw_compile_def(c, code, self);
        scope = self;
    }
    pw_compile(c, code, scope, n);
}

void pw_compile(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n)
{
    if (fold(c, n)) {
        (void)pw_emit(c, code, PW_DO_CONST, 0, pw_emit_constant(c, n->value));
        return;
    }
    switch ((pw_node_kind)n->kind) {
    case PW_NODE_IDENTITY:
    case PW_NODE_CONST:
        break;
    case PW_NODE_RECURSE:
    case PW_NODE_CALL:
        pw_compile_call(c, code, scope, n);
        break;
    case PW_NODE_STRING:
        compile_string(c, code, scope, n);
        break;
    case PW_NODE_FORMAT:
        (void)pw_emit(c, code, PW_DO_FORMAT, 0, format_id(c, n->name, n->pos));
        break;
    case PW_NODE_INDEX:
    case PW_NODE_SLICE:
    case PW_NODE_EACH:
    case PW_NODE_TRY:
    case PW_NODE_BINARY:
    case PW_NODE_AND:
    case PW_NODE_OR:
        compile_spine(c, code, scope, n);
        break;
    case PW_NODE_PIPE:
        for (pw_node *stage = n->list; stage; stage = stage->next)
            pw_compile(c, code, scope, stage);
        break;
    case PW_NODE_COMMA:
        compile_comma(c, code, scope, n);
        break;
    case PW_NODE_ALTERNATIVE:
        compile_alternative(c, code, scope, n);
        break;
    case PW_NODE_ASSIGN:
    case PW_NODE_OP_ASSIGN:
        compile_assign(c, code, scope, n);
        break;
    case PW_NODE_UPDATE:
        compile_update(c, code, scope, n);
        break;
    case PW_NODE_NEGATE:
        pw_compile(c, code, scope, n->a);
        (void)pw_emit(c, code, PW_DO_NEGATE, 0, 0);
        break;
    case PW_NODE_IF:
        compile_if(c, code, scope, n);
        break;
    case PW_NODE_REDUCE:
        compile_reduce(c, code, scope, n);
        break;
    case PW_NODE_FOREACH:
        compile_foreach(c, code, scope, n);
        break;
    case PW_NODE_DEF:
        compile_defs(c, code, scope, n);
        break;
    case PW_NODE_VARIABLE:
        compile_variable(c, code, scope, n);
        break;
    case PW_NODE_AS:
        compile_as(c, code, scope, n);
        break;
    case PW_NODE_LABEL:
        compile_label(c, code, scope, n);
        break;
    case PW_NODE_BREAK:
        compile_break(c, code, scope, n);
        break;
    case PW_NODE_ARRAY:
        compile_array(c, code, scope, n);
        break;
    case PW_NODE_OBJECT:
        compile_object(c, code, scope, n);
        break;
    case PW_NODE_MEMBER:
        PW_ASSERT(false); /* a member is compiled by its object */
        break;
    }
}

/* ---- the whole */

/* A call whose result is the function's result can reuse its frame, unless an argument was closed
 * over that frame, or the callee was defined in it. */
static void mark_tail_calls(pw_code *code)
{
    for (uint32_t i = 0; i < code->count; i++) {
        pw_insn *call = &code->insns[i];
        if (call->op != PW_DO_CALL && call->op != PW_DO_CALL_PARAM)
            continue;
        uint32_t next = i + 1;
        bool holds = call->op == PW_DO_CALL && call->a == 0;
        for (; code->insns[next].op == PW_DO_ARG_CLOSURE ||
               code->insns[next].op == PW_DO_ARG_PARAM || code->insns[next].op == PW_DO_ARG_VALUE;
             next++)
            holds |= code->insns[next].op == PW_DO_ARG_CLOSURE;
        while (code->insns[next].op == PW_DO_JUMP)
            next = code->insns[next].b;
        if (!holds && code->insns[next].op == PW_DO_RETURN)
            call->op = call->op == PW_DO_CALL ? PW_DO_TAIL_CALL : PW_DO_TAIL_PARAM;
    }
}

static bool has_target(unsigned op)
{
    return op == PW_DO_JUMP || op == PW_DO_BRANCH || op == PW_DO_FORK || op == PW_DO_MARK_ELSE ||
           op == PW_DO_TRY || op == PW_DO_TRY_NEXT;
}

/* One block of code for all functions; targets become absolute. */
static pw_expr *link_code(pw_compiler *c)
{
    pw_expr *expr = PW_NEW(c->out, pw_expr);
    uint32_t total = 0;
    for (pw_code *code = c->first; code; code = code->next) {
        mark_tail_calls(code);
        code->entry = total;
        total += code->count;
    }
    pw_insn *insns = PW_NEW_ARRAY(c->out, pw_insn, total);
    pw_function *functions = PW_NEW_ARRAY(c->out, pw_function, c->function_count);
    pw_value *constants = PW_NEW_ARRAY(c->out, pw_value, c->constant_count + 1);
    for (pw_code *code = c->first; code; code = code->next) {
        for (uint32_t i = 0; i < code->count; i++) {
            pw_insn insn = code->insns[i];
            if (has_target(insn.op) && (insn.op != PW_DO_TRY || insn.b != 0))
                insn.b += code->entry;
            insns[code->entry + i] = insn;
        }
        functions[code->index] = (pw_function){ code->entry, code->slots, code->arity };
    }
    for (uint32_t i = 0; i < c->constant_count; i++)
        constants[i] = pw_copy(c->out, c->constants[i]);
    expr->code = insns;
    expr->code_count = total;
    expr->functions = functions;
    expr->function_count = c->function_count;
    expr->constants = constants;
    expr->constant_count = c->constant_count;
    expr->slots_read = c->slots_read;
    expr->reads_input = c->reads_input;
    return expr;
}

static pw_expr *compile(pw_compiler *c, pw_str source, const pw_expr_variable *variables,
                        size_t variable_count)
{
    pw_node *tree = pw_parse(c->syntax, source);
    c->reads_input = pw_reads_input(tree); /* before anything is folded */
    const pw_scope *scope = NULL;
    for (size_t i = 0; i < variable_count; i++) {
        PW_ASSERT(variables[i].slot < PW_EXPR_SLOTS_MAX);
        scope = pw_scope_add(c, scope, PW_SCOPE_GLOBAL, variables[i].name, NULL, variables[i].slot);
    }
    for (;;) {
        c->first = NULL;
        c->last = &c->first;
        c->function_count = c->constant_count = c->code_total = 0;
        c->known = NULL;
        c->slots_read = 0;
        pw_code *main = pw_code_new(c, NULL, 0);
        pw_compile(c, main, scope, tree);
        (void)pw_emit(c, main, PW_DO_OUTPUT, 0, 0);
        if (c->track || !c->wants_track)
            return link_code(c);
        c->track = true;
    }
}

/* What fails inside comes back here: nothing of the caller's is changed behind setjmp. */
static pawl_code compile_guarded(const pw_expr **out, pw_compiler *c, pw_str source,
                                 const pw_expr_variable *variables, size_t variable_count)
{
    pw_arena_mark mark = pw_arena_at(c->out);
    jmp_buf guard, *before = pw_arena_guard(c->out, &guard);
    pw_arena_guard(c->scratch, &guard);
    if (setjmp(guard)) {
        (void)pw_arena_guard(c->out, before);
        pw_arena_rewind(c->out, mark);
        return c->syntax->code != PAWL_OK ? c->syntax->code : pw_no_memory(c->syntax->err);
    }
    *out = compile(c, source, variables, variable_count);
    (void)pw_arena_guard(c->out, before);
    return PAWL_OK;
}

pawl_code pw_expr_compile(const pw_expr **out, pw_str source, const pw_expr_variable *variables,
                          size_t variable_count, pw_arena *arena, size_t *position, pawl_error *err)
{
    if (position)
        *position = 0;
    if (source.len > PW_EXPR_SOURCE_MAX)
        return pw_fail(err, PAWL_INVALID, "too long: an expression has at most %u bytes",
                       PW_EXPR_SOURCE_MAX);
    if (source.len > 0 && !pw_utf8_valid(source))
        return pw_fail(err, PAWL_INVALID, "not valid UTF-8");
    pw_arena scratch;
    pw_arena_init(&scratch, 0);
    pw_syntax syntax = { .arena = &scratch, .err = err, .code = PAWL_OK };
    pw_compiler compiler = { .syntax = &syntax, .scratch = &scratch, .out = arena };
    pawl_code code = compile_guarded(out, &compiler, source, variables, variable_count);
    pw_arena_done(&scratch);
    if (code != PAWL_OK && position)
        *position = syntax.position;
    return code;
}

uint64_t pw_expr_slots(const pw_expr *expr)
{
    return expr->slots_read;
}

bool pw_expr_reads_input(const pw_expr *expr)
{
    return expr->reads_input;
}
