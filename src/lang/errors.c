/* errors.c - raise, try and catch. */
#include "lang/lang_internal.h"

/* ---- errors as objects */

static const pw_template *error_text(pw_load *load, const pw_node *node, const pw_path *path,
                                     const char *member, const pw_place *place)
{
    return pw_lang_text(load, pw_lang_get(node, member), PW_STEP(path, member), place);
}

void pw_lang_error_object(pw_load *load, pw_error_template *out, const pw_node *node,
                          const pw_path *path, const pw_place *place)
{
    static const pw_rule rules[] = { { "type", NULL },
                                     { "status", NULL },
                                     { "title", NULL },
                                     { "detail", NULL },
                                     { "instance", NULL } };
    if (!pw_lang_is_map(load, node, path))
        return;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    const pw_node *type = pw_lang_require(load, node, path, "type");
    const pw_node *status = pw_lang_require(load, node, path, "status");
    const pw_path *type_path = PW_STEP(path, "type");
    if (pw_lang_string(load, type, type_path, &out->type)) {
        if (out->type.len == 0)
            pw_lang_error(load, type, type_path, "'type' must be a URI, not empty");
        const pw_template *computed = pw_lang_template(load, type, type_path, place);
        if (computed->kind != PW_TEMPLATE_CONST) {
            out->type_computed = computed;
            out->type = (pw_str){ 0 };
        }
    }
    int64_t number;
    if (pw_lang_is_string(status) && status->expressive)
        pw_lang_error(load, status, PW_STEP(path, "status"),
                      "'status' must be an integer; to raise a computed error write "
                      "error: ${ <the whole object> }");
    else if (pw_lang_integer(load, status, PW_STEP(path, "status"), 100, 599, &number))
        out->status = (int32_t)number;
    out->title = error_text(load, node, path, "title", place);
    out->detail = error_text(load, node, path, "detail", place);
    out->instance = error_text(load, node, path, "instance", place);
}

void pw_lang_raise(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                   const pw_nest *nest)
{
    static const pw_rule rules[] = { { "error", NULL } };
    const pw_node *raise = pw_lang_get(node, "raise");
    const pw_path *step = PW_STEP(path, "raise");
    pw_place place = { .scope = nest->scope, .arguments = PW_ARGS_INSIDE, .what = "'raise'" };
    if (!pw_lang_is_map(load, raise, step))
        return;
    pw_lang_members(load, raise, step, rules, PW_LENGTH(rules));
    const pw_node *error = pw_lang_require(load, raise, step, "error");
    const pw_path *error_path = PW_STEP(step, "error");
    if (!error)
        return;
    if (!pw_lang_is_string(error)) {
        if (error->kind != PW_NODE_MAP)
            pw_lang_found(load, PAWL_FINDING_TYPE, error, error_path,
                          "'error' must be an object, the name of one in 'use.errors', or one "
                          "expression in ${ }, not %s",
                          pw_lang_type(error));
        else
            pw_lang_error_object(load, &task->as.error, error, error_path, &place);
        return;
    }
    pw_str source;
    pw_wrapped wrapped = pw_lang_wrapped(load, error, error_path, &place, &source);
    if (wrapped == PW_WRAPPED_WHOLE) {
        if (load->findings->portable)
            pw_lang_found(load, PAWL_FINDING_NOT_PORTABLE, error, error_path,
                          "only pawl raises what an expression gives: to others this is the name "
                          "of an error");
        task->as.error.whole = pw_lang_compile(load, error, error_path, &place, source);
    }
    if (wrapped != PW_WRAPPED_NO)
        return;
    if (error->text.len > 1 && error->text.ptr[0] == '$') {
        pw_str shown = pw_lang_shown(load, error->text);
        pw_lang_found(
            load, PAWL_FINDING_UNKNOWN_NAME, error, error_path,
            "this is the name of an error in 'use.errors'; to raise what the expression gives "
            "write \"${ " PW_FMT " }\"",
            PW_ARG(shown));
        return;
    }
    pw_named *named = pw_lang_find(load, &load->errors, error, error_path);
    if (named) /* compiled anew for each place: variables differ */
        pw_lang_error_object(load, &task->as.error, named->node,
                             PW_STEP_KEY(named->path, named->key), &place);
}

/* ---- try */

static bool literal(pw_load *load, const pw_node *node, const pw_path *path, pw_str *out)
{
    if (!pw_lang_string(load, node, path, out))
        return false;
    if (!memmem(out->ptr, out->len, "${", 2))
        return true;
    pw_lang_found(
        load, PAWL_FINDING_NOT_SUPPORTED, node, path,
        "an expression in `catch.errors.with` is not in this release of pawl; use `catch.when`");
    return false;
}

static void compile_filter(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path)
{
    static const pw_rule rules[] = { { "type", NULL },
                                     { "status", NULL },
                                     { "title", NULL },
                                     { "detail", NULL },
                                     { "details", NULL },
                                     { "instance", NULL },
                                     { "class", "catch.errors.with.class" } };
    task->as.attempt.status = -1;
    if (!node || !pw_lang_is_map(load, node, path))
        return;
    for (uint32_t i = 0; i < node->count; i++) { /* the schema leaves this object open */
        const pw_node *key = node->pairs[i].key;
        pw_str shown = pw_lang_shown(load, key->text);
        if (!pw_str_is(key->text, "with"))
            pw_lang_found(load, PAWL_FINDING_NO_EFFECT, key, PW_STEP_KEY(path, key),
                          "'" PW_FMT
                          "' has no effect here; which errors are caught stands in 'with'",
                          PW_ARG(shown));
    }
    const pw_node *with = pw_lang_get(node, "with");
    const pw_path *step = PW_STEP(path, "with");
    if (!with || !pw_lang_is_map(load, with, step))
        return;
    pw_lang_members(load, with, step, rules, PW_LENGTH(rules));
    if (with->count == 0)
        pw_lang_error(load, with, step, "'with' must have at least one member");
    task->as.attempt.has_errors = true;
    (void)literal(load, pw_lang_get(with, "type"), PW_STEP(step, "type"), &task->as.attempt.type);
    (void)literal(load, pw_lang_get(with, "title"), PW_STEP(step, "title"),
                  &task->as.attempt.title);
    /* 1.0.3 as it was released says "details", what came after it "detail" */
    const char *detail = pw_lang_get(with, "details") ? "details" : "detail";
    if (pw_lang_get(with, "details") && pw_lang_get(with, "detail"))
        pw_lang_found(load, PAWL_FINDING_DUPLICATE, pw_lang_key(with, "details"),
                      PW_STEP(step, "details"), "'details' means the same as 'detail'");
    (void)literal(load, pw_lang_get(with, detail), PW_STEP(step, detail), &task->as.attempt.detail);
    (void)literal(load, pw_lang_get(with, "instance"), PW_STEP(step, "instance"),
                  &task->as.attempt.instance);
    const pw_node *status = pw_lang_get(with, "status");
    pw_str text;
    int64_t number;
    if (pw_lang_is_string(status) && status->expressive)
        (void)literal(load, status, PW_STEP(step, "status"), &text);
    else if (pw_lang_integer(load, status, PW_STEP(step, "status"), 0, INT32_MAX, &number))
        task->as.attempt.status = (int32_t)number;
}

static void compile_catch(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                          const pw_nest *nest)
{
    static const pw_rule rules[] = { { "errors", NULL },     { "as", NULL },    { "when", NULL },
                                     { "exceptWhen", NULL }, { "retry", NULL }, { "do", NULL },
                                     { "then", NULL } };
    if (!pw_lang_is_map(load, node, path))
        return;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    compile_filter(load, task, pw_lang_get(node, "errors"), PW_STEP(path, "errors"));
    pw_nest inner = *nest;
    pw_scope scope = { .up = nest->scope };
    const pw_node *then = pw_lang_get(node, "then");
    task->as.attempt.has_then = then != NULL;
    task->as.attempt.then = pw_lang_flow(load, then, PW_STEP(path, "then"), nest->list);
    if (!pw_lang_variable(load, pw_lang_get(node, "as"), PW_STEP(path, "as"), "error", nest,
                          &inner.slots, &scope))
        return; /* every use of the variable would be one more finding about the same mistake */
    inner.scope = &scope;
    task->as.attempt.as = scope.name;
    task->as.attempt.as_slot = scope.slot;
    pw_place place = { .scope = &scope, .arguments = PW_ARGS_INSIDE, .what = "'catch'" };
    task->as.attempt.when =
        pw_lang_condition(load, pw_lang_get(node, "when"), PW_STEP(path, "when"), &place);
    task->as.attempt.except_when = pw_lang_condition(load, pw_lang_get(node, "exceptWhen"),
                                                     PW_STEP(path, "exceptWhen"), &place);
    const pw_node *retry = pw_lang_get(node, "retry");
    const pw_path *retry_path = PW_STEP(path, "retry");
    if (pw_lang_is_string(retry)) {
        pw_named *named = pw_lang_find(load, &load->retries, retry, retry_path);
        if (named)
            task->as.attempt.retry =
                pw_lang_retry(load, named->node, PW_STEP_KEY(named->path, named->key), &place);
    } else if (retry) {
        task->as.attempt.retry = pw_lang_retry(load, retry, retry_path, &place);
    }
    const pw_node *handler = pw_lang_get(node, "do");
    task->as.attempt.has_handler = handler != NULL;
    task->as.attempt.handler = pw_lang_list(load, handler, PW_STEP(path, "do"), &inner, false);
}

void pw_lang_try(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                 const pw_nest *nest)
{
    task->as.attempt.body =
        pw_lang_list(load, pw_lang_get(node, "try"), PW_STEP(path, "try"), nest, false);
    task->as.attempt.status = -1;
    compile_catch(load, task, pw_lang_require(load, node, path, "catch"), PW_STEP(path, "catch"),
                  nest);
}
