/* expressions.c - which strings are expressions, what they may use, and where they are wrong.
 *
 * Two classes: members that always are expressions, with or without ${ }; and values, where a
 * string is one only if it is one ${ ... } as a whole. All else is literal; what looks like an
 * expression and is none gets a warning. In loose mode each other value is tried, too, and is text
 * if it does not compile or uses what is not there. Text that arrives as data is never compiled. */
#include <stdio.h>
#include "lang/lang_internal.h"

static const struct {
    const char *name;
    uint32_t slot;
    bool later; /* not in this release */
} arguments[] = {
    { "context", PW_SLOT_CONTEXT, false }, { "input", PW_SLOT_INPUT, false },
    { "output", PW_SLOT_OUTPUT, false },   { "secrets", PW_SLOT_SECRETS, true },
    { "task", PW_SLOT_TASK, false },       { "workflow", PW_SLOT_WORKFLOW, false },
    { "runtime", PW_SLOT_RUNTIME, false }, { "authorization", PW_SLOT_AUTHORIZATION, true },
};
static_assert(PW_LENGTH(arguments) == PW_SLOT_LEXICAL, "one name for each slot");

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static pw_str trim(pw_str s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool pw_is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Where `$name` first stands in `source`; source.len: nowhere. */
static size_t find_variable(pw_str source, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i + len < source.len; i++) {
        if (source.ptr[i] == '$' && memcmp(source.ptr + i + 1, name, len) == 0 &&
            (i + 1 + len == source.len || !pw_is_name_byte(source.ptr[i + 1 + len])))
            return i;
    }
    return source.len;
}

/* ---- compiling */

static uint32_t place_in(pw_load *load, const pw_node *node, pw_str source, size_t offset)
{
    return pw_lang_inside(load, node, (size_t)(source.ptr - node->text.ptr) + offset);
}

/* Arguments that the expression uses and that are not there, or not yet. */
static bool is_missing(size_t argument, const pw_place *place, uint64_t slots)
{
    uint64_t bit = (uint64_t)1 << arguments[argument].slot;
    return (slots & bit) && (arguments[argument].later || !(place->arguments & bit));
}

static void check_arguments(pw_load *load, const pw_node *node, const pw_path *path,
                            const pw_place *place, pw_str source, uint64_t slots)
{
    for (size_t i = 0; i < PW_LENGTH(arguments); i++) {
        if (!is_missing(i, place, slots))
            continue;
        size_t offset = find_variable(source, arguments[i].name);
        uint32_t at = offset < source.len ? place_in(load, node, source, offset) : node->start;
        if (arguments[i].later)
            pw_lang_report(load, PAWL_FINDING_NOT_SUPPORTED, at, path,
                           "`$%s` is valid in the language but not in this release of pawl",
                           arguments[i].name);
        else
            pw_lang_report(load, PAWL_FINDING_VARIABLE, at, path, "$%s is not available in %s",
                           arguments[i].name, place->what);
    }
}

/* PAWL_OK, or PAWL_EXPRESSION with *position and *err; PAWL_INVALID: with a finding. */
static pawl_code compile(pw_load *load, const pw_node *node, const pw_path *path,
                         const pw_place *place, pw_str source, const pw_expr **out,
                         size_t *position, pawl_error *err)
{
    pw_expr_variable variables[PW_EXPR_SLOTS_MAX];
    uint32_t count = 0;
    for (size_t i = 0; i < PW_LENGTH(arguments); i++)
        variables[count++] = (pw_expr_variable){ pw_str_of(arguments[i].name), arguments[i].slot };
    uint32_t lexical = 0;
    for (const pw_scope *scope = place->scope; scope; scope = scope->up)
        lexical++;
    PW_ASSERT(count + lexical <= PW_EXPR_SLOTS_MAX);
    uint32_t at = count += lexical; /* the innermost last: it hides those before it */
    for (const pw_scope *scope = place->scope; scope; scope = scope->up)
        variables[--at] = (pw_expr_variable){ scope->name, scope->slot };
    /* one that is used at many places, by an alias or a name, is compiled for each */
    load->source_bytes += source.len;
    if (load->source_bytes > PW_DOCUMENT_MAX) {
        pw_lang_found(
            load, PAWL_FINDING_TOO_LARGE, node, path,
            "the expressions have more than %u bytes when all that is used again is written out",
            PW_DOCUMENT_MAX);
        return PAWL_INVALID;
    }
    pawl_code code = pw_expr_compile(out, source, variables, count, load->arena, position, err);
    if (code == PAWL_NO_MEMORY)
        pw_lang_no_memory(load);
    return code == PAWL_OK ? PAWL_OK : PAWL_EXPRESSION;
}

const pw_expr *pw_lang_compile(pw_load *load, const pw_node *node, const pw_path *path,
                               const pw_place *place, pw_str source)
{
    const pw_expr *expr = NULL;
    size_t position = 0;
    pawl_error err = { 0 };
    if (trim(source).len == 0) {
        pw_lang_found(load, PAWL_FINDING_EXPRESSION, node, path, "the expression is empty");
        return NULL;
    }
    pawl_code code = compile(load, node, path, place, source, &expr, &position, &err);
    if (code == PAWL_INVALID)
        return NULL;
    if (code != PAWL_OK) {
        pw_lang_report(load, PAWL_FINDING_EXPRESSION, place_in(load, node, source, position), path,
                       "expression: %s", err.message);
        return NULL;
    }
    check_arguments(load, node, path, place, source, pw_expr_slots(expr));
    return expr;
}

/* ---- what is one */

static void warn_of_lookalike(pw_load *load, const pw_node *node, const pw_path *path,
                              const pw_place *place, pw_str text)
{
    bool looks = false;
    if (text.len > 1 && text.ptr[0] == '.') {
        looks = !(text.ptr[1] >= '0' && text.ptr[1] <= '9');
        for (size_t i = 1; i < text.len && looks; i++)
            looks = pw_is_name_byte(text.ptr[i]) || (text.ptr[i] == '.' && text.ptr[i - 1] != '.');
        looks = looks && text.ptr[text.len - 1] != '.';
    } else if (text.len > 1 && text.ptr[0] == '$') {
        pw_str rest = { text.ptr + 1, text.len - 1 };
        size_t end = 0;
        while (end < rest.len && pw_is_name_byte(rest.ptr[end]))
            end++;
        pw_str name = { rest.ptr, end };
        for (size_t i = 0; i < PW_LENGTH(arguments) && !looks; i++)
            looks = pw_str_is(name, arguments[i].name);
        for (const pw_scope *scope = place->scope; scope && !looks; scope = scope->up)
            looks = pw_str_eq(name, scope->name);
        looks = looks && (end == rest.len || rest.ptr[end] == '.');
    }
    if (!looks)
        return;
    pw_str shown = pw_lang_shown(load, text);
    pw_lang_found(load, PAWL_FINDING_LITERAL, node, path,
                  "this is literal text; if it is meant as an expression write \"${ " PW_FMT " }\"",
                  PW_ARG(shown));
}

pw_wrapped pw_lang_wrapped(pw_load *load, const pw_node *node, const pw_path *path,
                           const pw_place *place, pw_str *source)
{
    pw_str text = trim(node->text);
    if (!pw_str_starts(text, PW_LIT("${"))) {
        const char *inner = memmem(text.ptr, text.len, "${", 2);
        if (inner) {
            size_t offset = (size_t)(inner - node->text.ptr);
            pw_lang_report(load, PAWL_FINDING_LITERAL, pw_lang_inside(load, node, offset), path,
                           "this '${' is literal text, because only a whole string can be an "
                           "expression; write \"${ \\\"text \\\\(.x)\\\" }\"");
        } else if (!load->loose) {
            warn_of_lookalike(load, node, path, place, text);
        }
        return PW_WRAPPED_NO;
    }
    size_t end = pw_expr_scan(text);
    if (end == text.len) {
        *source = (pw_str){ text.ptr + 2, text.len - 3 };
        return PW_WRAPPED_WHOLE;
    }
    if (end == 0) {
        pw_lang_report(load, PAWL_FINDING_EXPRESSION, place_in(load, node, text, 0), path,
                       "the expression that begins with '${' is not closed by '}'");
        return PW_WRAPPED_BROKEN;
    }
    size_t offset = (size_t)(text.ptr - node->text.ptr) + end;
    pw_lang_report(load, PAWL_FINDING_LITERAL, pw_lang_inside(load, node, offset), path,
                   "text stands behind the '}', so all of it is literal text; write "
                   "\"${ \\\"\\\\(.x) text\\\" }\"");
    return PW_WRAPPED_NO;
}

pw_str pw_lang_unwrapped(pw_str text)
{
    pw_str source = trim(text);
    if (pw_str_starts(source, PW_LIT("${")) && pw_expr_scan(source) == source.len)
        source = trim((pw_str){ source.ptr + 2, source.len - 3 });
    return source;
}

const pw_expr *pw_lang_expression(pw_load *load, const pw_node *node, const pw_path *path,
                                  const pw_place *place)
{
    pw_str text;
    if (!pw_lang_string(load, node, path, &text))
        return NULL;
    pw_str source = trim(text);
    if (pw_str_starts(source, PW_LIT("${"))) {
        size_t end = pw_expr_scan(source);
        if (end != source.len) {
            pw_lang_report(load, PAWL_FINDING_EXPRESSION, place_in(load, node, source, end), path,
                           "%s",
                           end ? "nothing may stand behind the '}' of an expression"
                               : "the expression that begins with '${' is not closed by '}'");
            return NULL;
        }
        source = (pw_str){ source.ptr + 2, source.len - 3 };
    }
    return pw_lang_compile(load, node, path, place, source);
}

/* `.approved = true` assigns and is always true: nearly always a mistake in a condition. */
static void warn_of_assignment(pw_load *load, const pw_node *node, const pw_path *path)
{
    pw_str text = node->text;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i], before = i > 0 ? text.ptr[i - 1] : ' ';
        if (c == '\\' && in_string) {
            i++;
            continue;
        }
        if (c == '"')
            in_string = !in_string;
        if (c != '=' || in_string || strchr("=!<>|+-*/%", before))
            continue;
        if (i + 1 < text.len && text.ptr[i + 1] == '=') {
            i++;
            continue;
        }
        pw_lang_report(load, PAWL_FINDING_ASSIGNMENT, pw_lang_inside(load, node, i), path,
                       "'=' changes a value and is always true here; did you mean '=='?");
        return;
    }
}

const pw_expr *pw_lang_condition(pw_load *load, const pw_node *node, const pw_path *path,
                                 const pw_place *place)
{
    const pw_expr *expr = pw_lang_expression(load, node, path, place);
    if (expr)
        warn_of_assignment(load, node, path);
    return expr;
}

/* ---- templates */

bool pw_lang_may_compute(const pw_load *load, const pw_node *node)
{
    return pw_lang_is_string(node) && (node->expressive || load->loose);
}

/* Not ${ }: an expression all the same, if it can be one. */
static void fill_loose(pw_load *load, pw_template *out, const pw_node *node, const pw_path *path,
                       const pw_place *place)
{
    const pw_expr *expr = NULL;
    size_t position = 0;
    pawl_error err = { 0 };
    const char *why = err.message;
    if (trim(node->text).len == 0 || memmem(node->text.ptr, node->text.len, "${", 2))
        return; /* plainly text; what is in it has its finding */
    pw_arena_mark mark = pw_arena_at(load->arena);
    if (compile(load, node, path, place, node->text, &expr, &position, &err) == PAWL_INVALID)
        return;
    for (size_t i = 0; expr && i < PW_LENGTH(arguments); i++) {
        if (!is_missing(i, place, pw_expr_slots(expr)))
            continue;
        if (arguments[i].later) {
            check_arguments(load, node, path, place, node->text, pw_expr_slots(expr));
            return;
        }
        (void)snprintf(err.message, sizeof err.message, "$%s is not available in %s",
                       arguments[i].name, place->what);
        expr = NULL;
    }
    if (!expr) {
        pw_arena_rewind(load->arena, mark);
        pw_lang_report(load, PAWL_FINDING_LOOSE, node->start, path,
                       "this is no expression, and so it is text: %s", why);
        return;
    }
    out->kind = PW_TEMPLATE_LOOSE;
    out->expr = expr;
}

static void fill(pw_load *load, pw_template *out, const pw_node *node, const pw_path *path,
                 const pw_place *place);

static void fill_children(pw_load *load, pw_template *out, const pw_node *node, const pw_path *path,
                          const pw_place *place)
{
    pw_template *items = PW_NEW_ARRAY(load->arena, pw_template, node->count ? node->count : 1);
    bool constant = true;
    bool is_map = node->kind == PW_NODE_MAP;
    for (uint32_t i = 0; i < node->count; i++) {
        const pw_node *child = is_map ? node->pairs[i].value : node->items[i];
        pw_path step = { .up = path, .index = i };
        if (is_map)
            step.key = node->pairs[i].key->text;
        fill(load, &items[i], child, &step, place);
        constant = constant && items[i].kind == PW_TEMPLATE_CONST;
    }
    if (constant) /* the value is there already */
        return;
    out->kind = is_map ? PW_TEMPLATE_OBJECT : PW_TEMPLATE_ARRAY;
    out->count = node->count;
    out->items = items;
    if (!is_map)
        return;
    pw_str *keys = PW_NEW_ARRAY(load->arena, pw_str, node->count ? node->count : 1);
    for (uint32_t i = 0; i < node->count; i++)
        keys[i] = node->pairs[i].key->text;
    out->keys = keys;
}

/* Recursion is bounded by PW_LANG_DEPTH_MAX. */
static void fill(pw_load *load, pw_template *out, const pw_node *node, const pw_path *path,
                 const pw_place *place)
{
    *out = (pw_template){ .kind = PW_TEMPLATE_CONST, .value = node->value };
    if (!node->expressive && !load->loose)
        return;
    if (node->kind != PW_NODE_SCALAR) {
        fill_children(load, out, node, path, place);
        return;
    }
    if (!pw_lang_is_string(node))
        return;
    pw_str source;
    pw_wrapped wrapped = pw_lang_wrapped(load, node, path, place, &source);
    if (wrapped == PW_WRAPPED_NO && load->loose)
        fill_loose(load, out, node, path, place);
    if (wrapped != PW_WRAPPED_WHOLE)
        return;
    const pw_expr *expr = pw_lang_compile(load, node, path, place, source);
    if (expr) {
        out->kind = PW_TEMPLATE_EXPR;
        out->value = (pw_value){ 0 };
        out->expr = expr;
    }
}

const pw_template *pw_lang_template(pw_load *load, const pw_node *node, const pw_path *path,
                                    const pw_place *place)
{
    if (!node)
        return NULL;
    pw_template *out = PW_NEW(load->arena, pw_template);
    fill(load, out, node, path, place);
    return out;
}

const pw_template *pw_lang_text(pw_load *load, const pw_node *node, const pw_path *path,
                                const pw_place *place)
{
    pw_str text;
    if (!pw_lang_string(load, node, path, &text))
        return NULL;
    return pw_lang_template(load, node, path, place);
}

const pw_template *pw_lang_transform(pw_load *load, const pw_node *node, const pw_path *path,
                                     const pw_place *place)
{
    if (!node)
        return NULL;
    if (node->kind == PW_NODE_MAP)
        return pw_lang_template(load, node, path, place);
    if (!pw_lang_is_string(node)) {
        pw_lang_found(load, PAWL_FINDING_TYPE, node, path,
                      "%s must be an expression or an object, not %s", place->what,
                      pw_lang_type(node));
        return NULL;
    }
    pw_template *out = PW_NEW(load->arena, pw_template);
    out->kind = PW_TEMPLATE_EXPR;
    out->expr = pw_lang_expression(load, node, path, place);
    return out->expr ? out : NULL;
}
