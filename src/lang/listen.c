/* listen.c - which messages are listened for: strategies, filters, correlations, and what is done
 * with each message.
 *
 * Where the language leaves a choice: text is a pattern only if it is ^...$ as a whole; in
 * an attribute's expression `.` is the attribute's value, and the result is true or that value
 * . An expression that does not look at `.` is evaluated once, when the listening begins: its
 * value is expected, so that a message finds who expects it without asking everybody. */
#include "base/json.h"
#include "lang/lang_internal.h"

/* ---- attributes */

static bool is_pattern(pw_str text)
{
    return text.len > 2 && text.ptr[0] == '^' && text.ptr[text.len - 1] == '$';
}

/* Compiles it once to see that it is a pattern; false, with a finding: it is none. */
static bool try_pattern(pw_load *load, const pw_node *node, const pw_path *path,
                        const pw_expr *expr)
{
    if (!load->machine)
        load->machine = pw_expr_machine_new(NULL);
    if (!load->machine)
        pw_lang_no_memory(load);
    pw_expr_input input = { .input = pw_string_ref(PW_LIT("")) };
    pw_value ignored;
    pawl_error err;
    pawl_code code =
        pw_expr_first(&ignored, load->machine, expr, &input, &load->scratch, &err);
    if (code == PAWL_NO_MEMORY)
        pw_lang_no_memory(load);
    if (code != PAWL_OK)
        pw_lang_found(load, PAWL_FINDING_EXPRESSION, node, path,
                      "text from '^' to '$' is a pattern: %s", err.message);
    return code == PAWL_OK;
}

static void compile_pattern(pw_load *load, pw_want *out, const pw_node *node, const pw_path *path,
                            const pw_place *place)
{
    pw_str quoted = pw_json_text(&load->scratch, node->value, PW_JSON_COMPACT);
    if (!quoted.ptr)
        pw_lang_no_memory(load);
    char *source = pw_arena_alloc(&load->scratch, quoted.len + sizeof "test()");
    size_t len = (size_t)(stpcpy(source, "test(") - source);
    memcpy(source + len, quoted.ptr, quoted.len);
    source[len + quoted.len] = ')';
    const pw_place nothing = { .what = place->what };
    out->kind = PW_WANT_PATTERN;
    out->source = pw_text(node->value);
    out->expr = pw_lang_compile(load, node, path, &nothing,
                                (pw_str){ source, len + quoted.len + 1 });
    if (!out->expr || !try_pattern(load, node, path, out->expr))
        return;
    if (load->findings->portable)
        pw_lang_found(load, PAWL_FINDING_NOT_PORTABLE, node, path,
                      "this is a pattern: others may take it as literal text");
}

/* Whether some expression in it looks at `.`, which is nothing there. Recursion is bounded by
 * PW_LANG_DEPTH_MAX. */
static bool reads_input(const pw_template *tmpl)
{
    if (tmpl->kind == PW_TEMPLATE_EXPR)
        return pw_expr_reads_input(tmpl->expr);
    for (uint32_t i = 0; tmpl->kind != PW_TEMPLATE_CONST && i < tmpl->count; i++)
        if (reads_input(&tmpl->items[i]))
            return true;
    return false;
}

static void compile_value(pw_load *load, pw_want *out, const pw_node *node, const pw_path *path,
                          const pw_place *place)
{
    out->kind = PW_WANT_VALUE;
    out->value = pw_lang_template(load, node, path, place);
    if (reads_input(out->value))
        pw_lang_error(load, node, path,
                      "an expression inside of a value is evaluated when the listening begins, "
                      "without a message: make the whole attribute one ${ } expression, whose '.' "
                      "is the attribute's value");
}

static void compile_want_expression(pw_load *load, pw_want *out, const pw_node *node,
                                    const pw_path *path, const pw_place *place, pw_str source)
{
    const pw_expr *expr = pw_lang_compile(load, node, path, place, source);
    if (!expr)
        return;
    if (!pw_expr_reads_input(expr)) {
        pw_template *value = PW_NEW(load->arena, pw_template);
        value->kind = PW_TEMPLATE_EXPR;
        value->expr = expr;
        out->kind = PW_WANT_VALUE;
        out->value = value;
        return;
    }
    out->kind = PW_WANT_EXPR;
    out->expr = expr;
    out->source = pw_arena_str(load->arena, source);
    out->of_instance = pw_expr_slots(expr) != 0;
    if (out->of_instance)
        pw_lang_found(load, PAWL_FINDING_EVERY_MESSAGE, node, path,
                      "this compares the message with the instance, so each instance that listens "
                      "looks at every message of this type; write what is expected as 'expect' of "
                      "a 'correlate', or as an expression without '.'");
}

static void compile_want(pw_load *load, pw_want *out, const pw_node *key, const pw_node *node,
                         const pw_path *path, const pw_place *place)
{
    static const char *const texts[] = { "id",   "source",  "type",       "specversion",
                                         "time", "subject", "dataschema", "datacontenttype" };
    pw_str text, source;
    out->attribute = key->text;
    for (size_t i = 0; i < PW_LENGTH(texts); i++)
        if (pw_str_is(key->text, texts[i]) &&
            (!pw_lang_string(load, node, path, &text) || text.len == 0)) {
            if (pw_lang_is_string(node))
                pw_lang_error(load, node, path, "'%s' must not be empty", texts[i]);
            return;
        }
    if (!pw_lang_is_string(node)) {
        compile_value(load, out, node, path, place);
        return;
    }
    switch (pw_lang_wrapped(load, node, path, place, &source)) {
    case PW_WRAPPED_WHOLE:
        compile_want_expression(load, out, node, path, place, source);
        return;
    case PW_WRAPPED_BROKEN:
        return;
    case PW_WRAPPED_NO:
        break;
    }
    if (is_pattern(node->text)) {
        compile_pattern(load, out, node, path, place);
        return;
    }
    pw_template *value = PW_NEW(load->arena, pw_template);
    value->value = node->value;
    out->kind = PW_WANT_VALUE;
    out->value = value;
}

static void compile_with(pw_load *load, pw_filter *out, const pw_node *with, const pw_path *path,
                         const pw_place *place)
{
    if (!pw_lang_is_map(load, with, path))
        return;
    if (with->count == 0)
        pw_lang_error(load, with, path, "'with' must have at least one attribute");
    pw_want *wants = PW_NEW_ARRAY(load->arena, pw_want, with->count + 1);
    for (uint32_t i = 0; i < with->count; i++) {
        const pw_node *key = with->pairs[i].key;
        pw_want *want = &wants[out->want_count];
        compile_want(load, want, key, with->pairs[i].value, PW_STEP_KEY(path, key), place);
        if (pw_str_is(key->text, "type") && want->kind == PW_WANT_VALUE && want->value &&
            want->value->kind == PW_TEMPLATE_CONST)
            out->type = pw_text(want->value->value);
        else
            out->want_count++;
    }
    out->wants = wants;
}

/* ---- correlations */

static void compile_correlation(pw_load *load, pw_correlation *out, const pw_node *key,
                                const pw_node *node, const pw_path *path, const pw_place *place)
{
    static const pw_rule rules[] = { { "from", NULL }, { "expect", NULL } };
    out->name = key->text;
    if (!pw_lang_is_map(load, node, path))
        return;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    pw_place here = *place;
    here.what = "'from'";
    const pw_node *from = pw_lang_require(load, node, path, "from");
    out->from = pw_lang_expression(load, from, PW_STEP(path, "from"), &here);
    if (out->from) {
        out->source = pw_arena_str(load->arena, pw_lang_unwrapped(from->text));
        out->of_instance = pw_expr_slots(out->from) != 0;
    }
    here.what = "'expect'";
    out->expect =
        pw_lang_text(load, pw_lang_get(node, "expect"), PW_STEP(path, "expect"), &here);
}

static void compile_correlate(pw_load *load, pw_filter *out, const pw_node *node,
                              const pw_path *path, const pw_place *place)
{
    if (!pw_lang_is_map(load, node, path))
        return;
    pw_correlation *all = PW_NEW_ARRAY(load->arena, pw_correlation, node->count + 1);
    for (uint32_t i = 0; i < node->count; i++)
        compile_correlation(load, &all[i], node->pairs[i].key, node->pairs[i].value,
                            PW_STEP_KEY(path, node->pairs[i].key), place);
    out->correlations = all;
    out->correlation_count = node->count;
}

/* ---- filters and strategies */

static void compile_filter(pw_load *load, pw_filter *out, const pw_node *node, const pw_path *path,
                           const pw_place *place)
{
    static const pw_rule rules[] = { { "with", NULL }, { "correlate", NULL } };
    if (!pw_lang_is_map(load, node, path))
        return;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    compile_with(load, out, pw_lang_require(load, node, path, "with"), PW_STEP(path, "with"),
                 place);
    compile_correlate(load, out, pw_lang_get(node, "correlate"), PW_STEP(path, "correlate"),
                      place);
}

static void compile_filters(pw_load *load, pw_listen *out, const pw_node *node,
                            const pw_path *path, const pw_place *place)
{
    bool list = out->kind != PW_LISTEN_ONE;
    if (list && !pw_lang_is_list(load, node, path))
        return;
    out->count = list ? node->count : 1;
    pw_filter *filters = PW_NEW_ARRAY(load->arena, pw_filter, out->count + 1);
    for (uint32_t i = 0; i < out->count; i++)
        compile_filter(load, &filters[i], list ? node->items[i] : node,
                       list ? PW_STEP_AT(path, i) : path, place);
    out->filters = filters;
    if (out->kind == PW_LISTEN_ALL && out->count == 0)
        pw_lang_error(load, node, path, "'all' must have at least one filter");
}

/* One of one, any, all. NULL, with a finding: none, or several. */
static const char *strategy_of(pw_load *load, pw_listen *out, const pw_node *node,
                               const pw_path *path)
{
    static const char *const names[] = { [PW_LISTEN_ONE] = "one",
                                         [PW_LISTEN_ANY] = "any",
                                         [PW_LISTEN_ALL] = "all" };
    const char *found = NULL;
    for (size_t i = 0; i < PW_LENGTH(names); i++) {
        const pw_node *key = pw_lang_key(node, names[i]);
        if (key && found) {
            pw_lang_error(load, key, PW_STEP(path, names[i]),
                          "messages are listened for in one way; this has both '%s' and '%s'",
                          found, names[i]);
            return NULL;
        }
        if (key) {
            found = names[i];
            out->kind = (pw_listen_kind)i;
        }
    }
    if (!found)
        pw_lang_found(load, PAWL_FINDING_MISSING, node, path,
                      "one of 'one', 'any' and 'all' must say which messages are listened for");
    return found;
}

static bool compile_strategy(pw_load *load, pw_listen *out, const pw_node *node,
                             const pw_path *path, const pw_place *place, bool may_end);

static void compile_until(pw_load *load, pw_listen *out, const pw_node *node, const pw_path *path,
                          const pw_place *place)
{
    if (node->kind == PW_NODE_MAP) {
        pw_listen *heard = PW_NEW(load->arena, pw_listen);
        (void)compile_strategy(load, heard, node, path, place, false);
        out->until_heard = heard;
        return;
    }
    pw_place here = *place;
    here.what = "'until'";
    const pw_expr *until = pw_lang_condition(load, node, path, &here);
    if (until && pw_str_is(pw_lang_unwrapped(node->text), "false"))
        out->for_ever = true;
    else
        out->until = until;
}

static bool compile_strategy(pw_load *load, pw_listen *out, const pw_node *node,
                             const pw_path *path, const pw_place *place, bool may_end)
{
    static const pw_rule rules[] = {
        { "one", NULL }, { "any", NULL }, { "all", NULL }, { "until", NULL }
    };
    if (!pw_lang_is_map(load, node, path))
        return false;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    const char *name = strategy_of(load, out, node, path);
    if (!name)
        return false;
    compile_filters(load, out, pw_lang_get(node, name), PW_STEP(path, name), place);
    const pw_node *until = pw_lang_get(node, "until");
    if (!until)
        return true;
    if (out->kind == PW_LISTEN_ANY && may_end) {
        compile_until(load, out, until, PW_STEP(path, "until"), place);
        return true;
    }
    pw_lang_error(load, pw_lang_key(node, "until"), PW_STEP(path, "until"),
                  may_end ? "'until' belongs to 'any': '%s' ends by itself"
                          : "an 'until' has no 'until' of its own (beside '%s')",
                  name);
    return false;
}

bool pw_lang_listen(pw_load *load, pw_listen *out, const pw_node *strategy, const pw_path *path,
                    const pw_nest *nest)
{
    uint32_t before = load->findings->errors;
    pw_place place = { .scope = nest ? nest->scope : NULL,
                       .arguments = nest ? PW_ARGS_INSIDE : PW_ARGS_WORKFLOW,
                       .what = "a filter of messages" };
    return compile_strategy(load, out, strategy, path, &place, true) &&
           load->findings->errors == before;
}

/* ---- the task */

void pw_lang_read(pw_load *load, pw_listen *out, const pw_node *node, const pw_path *path)
{
    static const char *const names[] = { [PW_READ_DATA] = "data",
                                         [PW_READ_ENVELOPE] = "envelope",
                                         [PW_READ_RAW] = "raw" };
    pw_str name;
    if (!pw_lang_string(load, node, path, &name))
        return;
    for (size_t i = 0; i < PW_LENGTH(names); i++)
        if (pw_str_is(name, names[i])) {
            out->read = (pw_read_kind)i;
            return;
        }
    pw_str shown = pw_lang_shown(load, name);
    pw_lang_error(load, node, path, "'read' is data, envelope or raw, not '" PW_FMT "'",
                  PW_ARG(shown));
}

static void compile_foreach(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                            const pw_nest *nest)
{
    static const pw_rule rules[] = {
        { "item", NULL }, { "at", NULL }, { "do", NULL }, { "output", NULL }, { "export", NULL }
    };
    if (!pw_lang_is_map(load, node, path))
        return;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    task->as.listen.each = true;
    pw_nest inner = *nest;
    pw_scope item = { .up = nest->scope }, at = { .up = &item };
    const pw_node *item_node = pw_lang_get(node, "item"), *at_node = pw_lang_get(node, "at");
    if (!pw_lang_variable(load, item_node, PW_STEP(path, "item"), "item", nest, &inner.slots,
                          &item) ||
        !pw_lang_variable(load, at_node, PW_STEP(path, "at"), "index", nest, &inner.slots, &at))
        return; /* every use of the variables would be one more finding about the same mistake */
    if (pw_str_eq(item.name, at.name))
        pw_lang_error(load, at_node ? at_node : item_node, PW_STEP(path, at_node ? "at" : "item"),
                      "'item' and 'at' must have different names");
    inner.scope = &at;
    task->as.listen.item = item.name;
    task->as.listen.item_slot = item.slot;
    task->as.listen.at = at.name;
    task->as.listen.at_slot = at.slot;
    task->as.listen.body =
        pw_lang_list(load, pw_lang_get(node, "do"), PW_STEP(path, "do"), &inner, false);
    pw_place place = { .scope = &at, .arguments = PW_ARGS_INSIDE, .what = "'output.as'" };
    task->as.listen.output_as = pw_lang_shaped(load, node, path, "output", "as", &place,
                                               &task->as.listen.schemas.output);
    place.arguments = PW_ARGS_EXPORT;
    place.what = "'export.as'";
    task->as.listen.export_as = pw_lang_shaped(load, node, path, "export", "as", &place,
                                               &task->as.listen.schemas.export_);
}

void pw_lang_listen_task(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                         const pw_nest *nest)
{
    static const pw_rule rules[] = { { "to", NULL }, { "read", NULL } };
    const pw_node *listen = pw_lang_get(node, "listen");
    const pw_path *step = PW_STEP(path, "listen");
    if (pw_lang_is_map(load, listen, step)) {
        pw_lang_members(load, listen, step, rules, PW_LENGTH(rules));
        const pw_node *to = pw_lang_require(load, listen, step, "to");
        if (to)
            (void)pw_lang_listen(load, &task->as.listen.to, to, PW_STEP(step, "to"), nest);
        pw_lang_read(load, &task->as.listen.to, pw_lang_get(listen, "read"),
                     PW_STEP(step, "read"));
    }
    compile_foreach(load, task, pw_lang_get(node, "foreach"), PW_STEP(path, "foreach"), nest);
}
