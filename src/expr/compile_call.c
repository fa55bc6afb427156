/* compile_call.c - definitions and calls.
 *
 * A name is looked up among the definitions around the call, then among the forms known to the
 * compiler, the builtins written in C, and those written in jq (prelude.c), which are compiled when
 * first used. A parameter is a closure: a function and the frame it was written in; `$name` is
 * passed by value, the first such argument being the outermost loop, as in jq. */
#include "expr/compile_internal.h"

static void compile_count(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *call,
                          bool limit)
{
    uint32_t count = pw_emit_slot(c, code, 1), mark = limit ? pw_emit_slot(c, code, 1) : 0;
    (void)pw_emit(c, code, PW_DO_PUSH, c->track, 0);
    pw_compile(c, code, scope, call->list);
    (void)pw_emit(c, code, PW_DO_COUNT, count, limit ? 0 : 1);
    (void)pw_emit(c, code, PW_DO_POP, c->track, 0);
    if (limit)
        (void)pw_emit(c, code, PW_DO_MARK, mark, 0);
    pw_compile(c, code, scope, call->list->next);
    (void)pw_emit(c, code, limit ? PW_DO_COUNT_CUT : PW_DO_COUNT_SKIP, count, mark);
}

static void compile_last(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *call)
{
    uint32_t found = pw_emit_slot(c, code, 2), value = found + 1;
    (void)pw_emit(c, code, PW_DO_NULLS, found, 2);
    uint32_t fork = pw_emit(c, code, PW_DO_FORK, 0, 0);
    pw_compile(c, code, scope, call->list);
    (void)pw_emit(c, code, PW_DO_STORE, value, 0);
    (void)pw_emit(c, code, PW_DO_CONST, 0, pw_emit_constant(c, pw_bool(true)));
    (void)pw_emit(c, code, PW_DO_STORE, found, 0);
    (void)pw_emit(c, code, PW_DO_BACKTRACK, 0, 0);
    pw_emit_here(code, fork);
    (void)pw_emit(c, code, PW_DO_TAKE, found, 0);
    (void)pw_emit(c, code, PW_DO_FOUND, found, 0);
    (void)pw_emit(c, code, PW_DO_TAKE, value, 0);
}

static void compile_range(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *call)
{
    pw_node zero = { .kind = PW_NODE_CONST, .value = pw_int(0) };
    if (call->count == 1)
        pw_compile_operand(c, code, scope, &zero);
    for (pw_node *arg = call->list; arg; arg = arg->next)
        pw_compile_operand(c, code, scope, arg);
    (void)pw_emit(c, code, PW_DO_RANGE, call->count == 3, 0);
}

static void compile_map(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *call)
{
    pw_node *dot = PW_NEW(c->scratch, pw_node), *each = PW_NEW(c->scratch, pw_node);
    pw_node *pipe = PW_NEW(c->scratch, pw_node), *array = PW_NEW(c->scratch, pw_node);
    *dot = (pw_node){ .kind = PW_NODE_IDENTITY, .pos = call->pos };
    *each = (pw_node){ .kind = PW_NODE_EACH, .pos = call->pos, .a = dot, .next = call->list };
    *pipe = (pw_node){ .kind = PW_NODE_PIPE, .pos = call->pos, .list = each, .count = 2 };
    *array = (pw_node){ .kind = PW_NODE_ARRAY, .pos = call->pos, .a = pipe };
    pw_compile(c, code, scope, array);
}

typedef enum form {
    FORM_NONE,
    FORM_EMPTY,
    FORM_NOT,
    FORM_MAP,
    FORM_SELECT,
    FORM_PATH,
    FORM_RANGE,
    FORM_FIRST,
    FORM_LAST,
    FORM_LIMIT,
    FORM_SKIP,
    FORM_GETPATH,
} form;

static const struct {
    const char *name;
    uint32_t arity;
    form form;
} form_table[] = {
    { "empty", 0, FORM_EMPTY },     { "not", 0, FORM_NOT },     { "map", 1, FORM_MAP },
    { "select", 1, FORM_SELECT },   { "path", 1, FORM_PATH },   { "range", 1, FORM_RANGE },
    { "range", 2, FORM_RANGE },     { "range", 3, FORM_RANGE }, { "first", 1, FORM_FIRST },
    { "last", 1, FORM_LAST },       { "limit", 2, FORM_LIMIT }, { "skip", 2, FORM_SKIP },
    { "getpath", 1, FORM_GETPATH },
};

static form find_form(const pw_node *call)
{
    for (size_t i = 0; i < PW_LENGTH(form_table); i++)
        if (form_table[i].arity == call->count && pw_str_is(call->name, form_table[i].name))
            return form_table[i].form;
    return FORM_NONE;
}

static void compile_form(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *call,
                         form f)
{
    uint32_t jump, slot;
    switch (f) {
    case FORM_NONE:
        break;
    case FORM_EMPTY:
        (void)pw_emit(c, code, PW_DO_BACKTRACK, 0, 0);
        break;
    case FORM_NOT:
        (void)pw_emit(c, code, PW_DO_NOT, 0, 0);
        break;
    case FORM_MAP:
        compile_map(c, code, scope, call);
        break;
    case FORM_SELECT:
        (void)pw_emit(c, code, PW_DO_PUSH, c->track, 0);
        pw_compile(c, code, scope, call->list);
        jump = pw_emit(c, code, PW_DO_BRANCH, c->track, 0);
        uint32_t end = pw_emit(c, code, PW_DO_JUMP, 0, 0);
        pw_emit_here(code, jump);
        (void)pw_emit(c, code, PW_DO_BACKTRACK, 0, 0);
        pw_emit_here(code, end);
        break;
    case FORM_PATH:
        c->wants_track = true;
        (void)pw_emit(c, code, PW_DO_PATH_BEGIN, 0, 0);
        pw_compile(c, code, scope, call->list);
        (void)pw_emit(c, code, PW_DO_PATH_END, 0, 0);
        break;
    case FORM_RANGE:
        compile_range(c, code, scope, call);
        break;
    case FORM_FIRST:
        slot = pw_emit_slot(c, code, 1);
        (void)pw_emit(c, code, PW_DO_MARK, slot, 0);
        pw_compile(c, code, scope, call->list);
        (void)pw_emit(c, code, PW_DO_CUT, 0, slot);
        break;
    case FORM_LAST:
        compile_last(c, code, scope, call);
        break;
    case FORM_LIMIT:
    case FORM_SKIP:
        compile_count(c, code, scope, call, f == FORM_LIMIT);
        break;
    case FORM_GETPATH:
        pw_compile_operand(c, code, scope, call->list);
        (void)pw_emit(c, code, PW_DO_GETPATH, 0, 0);
        break;
    }
}

/* ---- functions */

/* Compiles the definition that `self` names, inside `parent` (NULL: a function of the prelude). */
void pw_compile_def(pw_compiler *c, pw_code *parent, pw_scope *self)
{
    const pw_def *def = self->def;
    pw_code *code = self->code = pw_code_new(c, parent, def->arity);
    code->arity = def->arity;
    const pw_scope *scope = self;
    for (uint32_t i = 0; i < def->arity; i++) {
        const pw_parameter *p = &def->parameters[i];
        bool closure = !p->is_value || p->called;
        scope =
            pw_scope_add(c, scope, closure ? PW_SCOPE_PARAM : PW_SCOPE_VARIABLE, p->name, code, i);
    }
    for (uint32_t i = 0; i < def->arity; i++) {
        const pw_parameter *p = &def->parameters[i];
        if (!p->is_value || !p->called)
            continue;
        uint32_t slot = pw_emit_slot(c, code, 1); /* the closure's value as well */
        (void)pw_emit(c, code, PW_DO_PUSH, c->track, 0);
        (void)pw_emit(c, code, PW_DO_CALL_PARAM, 0, i);
        (void)pw_emit(c, code, PW_DO_STORE, slot, 0);
        (void)pw_emit(c, code, PW_DO_POP, c->track, 0);
        scope = pw_scope_add(c, scope, PW_SCOPE_VARIABLE, p->name, code, slot);
    }
    pw_compile(c, code, scope, def->body);
    (void)pw_emit(c, code, PW_DO_RETURN, 0, 0);
}

const pw_scope *pw_scope_function(const pw_scope *scope, pw_str name, uint32_t arity)
{
    for (; scope; scope = scope->outer) {
        if (scope->kind == PW_SCOPE_FUNCTION && scope->arity == arity &&
            pw_str_eq(scope->name, name))
            return scope;
        if (scope->kind == PW_SCOPE_PARAM && arity == 0 && pw_str_eq(scope->name, name))
            return scope;
    }
    return NULL;
}

/* The parameter that an argument passes on as it is, or NULL. */
static const pw_scope *passed_on(const pw_scope *scope, const pw_node *arg)
{
    while (arg->kind == PW_NODE_PIPE && arg->count == 1)
        arg = arg->list;
    if (arg->kind != PW_NODE_CALL || arg->count != 0)
        return NULL;
    const pw_scope *found = pw_scope_function(scope, arg->name, 0);
    return found && found->kind == PW_SCOPE_PARAM ? found : NULL;
}

enum { NO_LEVEL = UINT16_MAX }; /* the callee was not written inside any frame */

static void compile_function_call(pw_compiler *c, pw_code *code, const pw_scope *scope,
                                  pw_node *call, pw_code *callee, const pw_def *def)
{
    pw_insn *args = PW_NEW_ARRAY(c->scratch, pw_insn, call->count + 1);
    pw_node *arg = call->list;
    for (uint32_t i = 0; i < call->count; i++, arg = arg->next) {
        const pw_parameter *p = &def->parameters[i];
        if (p->is_value && !p->called) {
            pw_compile_operand(c, code, scope, arg);
            args[i] = (pw_insn){ .op = PW_DO_ARG_VALUE };
            continue;
        }
        const pw_scope *parameter = passed_on(scope, arg);
        if (parameter) {
            uint32_t level = pw_emit_level(code, parameter->code);
            args[i] = (pw_insn){ PW_DO_ARG_PARAM, (uint16_t)level, parameter->slot };
            continue;
        }
        pw_code *closure = pw_code_new(c, code, 0);
        pw_compile(c, closure, scope, arg);
        (void)pw_emit(c, closure, PW_DO_RETURN, 0, 0);
        args[i] = (pw_insn){ PW_DO_ARG_CLOSURE, 0, closure->index };
    }
    uint32_t level = callee->parent ? pw_emit_level(code, callee->parent) : NO_LEVEL;
    (void)pw_emit(c, code, PW_DO_CALL, level, callee->index);
    for (uint32_t i = 0; i < call->count; i++)
        (void)pw_emit(c, code, (pw_insn_op)args[i].op, args[i].a, args[i].b);
}

/* A function written in jq, compiled at its first use; NULL: there is none. */
static const pw_known *find_prelude(pw_compiler *c, pw_str name, uint32_t arity)
{
    for (const pw_known *known = c->known; known; known = known->next)
        if (known->def->arity == arity && pw_str_eq(known->def->name, name))
            return known;
    pw_str text = pw_prelude_find(name, arity);
    if (text.len == 0)
        return NULL;
    pw_scope *self = pw_scope_add(c, NULL, PW_SCOPE_FUNCTION, name, NULL, 0);
    self->def = pw_parse_def(c->syntax, text);
    self->arity = arity;
    pw_known *known = PW_NEW(c->scratch, pw_known);
    known->def = self->def;
    known->next = c->known;
    pw_compile_def(c, NULL, self);
    known->next = c->known; /* others may have come in between */
    known->code = self->code;
    c->known = known;
    return known;
}

static const char *const refused[] = {
    "env",        "input",          "inputs",
    "debug",      "stderr",         "halt",
    "halt_error", "input_filename", "input_line_number",
    "localtime",  "strflocaltime",  "get_search_list",
    "modulemeta",
};

_Noreturn static void undefined(pw_compiler *c, const pw_node *call)
{
    for (size_t i = 0; i < PW_LENGTH(refused); i++)
        if (pw_str_is(call->name, refused[i]))
            pw_syntax_fail(c->syntax, call->pos,
                           PW_FMT
                           "/%u is not available here: an expression has no input or output, "
                           "environment or local time",
                           PW_ARG(call->name), call->count);
    pw_syntax_fail(c->syntax, call->pos, PW_FMT "/%u is not defined", PW_ARG(call->name),
                   call->count);
}

void pw_compile_call(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *call)
{
    pw_node recurse = { .kind = PW_NODE_CALL, .pos = call->pos, .name = PW_LIT("recurse") };
    if (call->kind == PW_NODE_RECURSE) {
        call = &recurse;
        scope = NULL;
    }
    const pw_scope *found = pw_scope_function(scope, call->name, call->count);
    if (found && found->kind == PW_SCOPE_PARAM) {
        (void)pw_emit(c, code, PW_DO_CALL_PARAM, pw_emit_level(code, found->code), found->slot);
        return;
    }
    if (found) {
        compile_function_call(c, code, scope, call, found->code, found->def);
        return;
    }
    form f = find_form(call);
    if (f != FORM_NONE) {
        compile_form(c, code, scope, call, f);
        return;
    }
    int builtin = pw_builtin_find(call->name, call->count);
    if (builtin >= 0) {
        pw_node *args[PW_EXPR_ARITY_MAX] = { NULL };
        uint32_t count = 0;
        for (pw_node *arg = call->list; arg; arg = arg->next)
            args[count++] = arg;
        for (uint32_t i = count; i-- > 0;) /* the last is the outermost loop */
            pw_compile_operand(c, code, scope, args[i]);
        (void)pw_emit(c, code, PW_DO_BUILTIN, count, (uint32_t)builtin);
        return;
    }
    const pw_known *known = find_prelude(c, call->name, call->count);
    if (!known)
        undefined(c, call);
    compile_function_call(c, code, scope, call, known->code, known->def);
}
