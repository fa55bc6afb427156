/* schemas.c - JSON Schemas in a document: of what comes in and goes out (`schema` beside `from` and
 * `as`), and of the form of a user task. Each is checked whole: what a person meets when an answer
 * is refused must not be a mistake in the schema. */
#include "lang/lang_internal.h"

/* The node below `node` that a JSON pointer names, as far as there is one, and the path to it. */
static const pw_node *node_at(pw_load *load, const pw_node *node, const pw_path **path,
                              pw_str pointer)
{
    while (pointer.len) {
        const char *end = memchr(pointer.ptr + 1, '/', pointer.len - 1);
        size_t len = end ? (size_t)(end - pointer.ptr) : pointer.len;
        const pw_node *next = NULL;
        pw_path *step = PW_NEW(&load->scratch, pw_path);
        step->up = *path;
        for (uint32_t i = 0; i < node->count && !next; i++) {
            pw_path one = { .index = i };
            if (node->kind == PW_NODE_MAP)
                one.key = node->pairs[i].key->text;
            pw_str written = pw_lang_pointer(&load->scratch, &one);
            if (!pw_str_eq(written, (pw_str){ pointer.ptr, len }))
                continue;
            next = node->kind == PW_NODE_MAP ? node->pairs[i].value : node->items[i];
            step->key = one.key;
            step->index = i;
        }
        if (!next)
            return node;
        node = next;
        *path = step;
        pointer = (pw_str){ pointer.ptr + len, pointer.len - len };
    }
    return node;
}

pw_value pw_lang_schema(pw_load *load, const pw_node *node, const pw_path *path)
{
    if (!load->machine)
        load->machine = pw_expr_machine_new(NULL);
    if (!load->machine)
        pw_lang_no_memory(load);
    const pw_schema_settings settings = pw_expr_schema_settings(load->machine);
    pw_schema_problem problem;
    pawl_error err;
    pawl_code code = pw_schema_check(&problem, node->value, &settings, &load->scratch, &err);
    if (code == PAWL_OK)
        return node->value;
    if (code != PAWL_INVALID)
        pw_lang_no_memory(load);
    const pw_node *at = node_at(load, node, &path, problem.at);
    pw_str words = pw_schema_words(&problem, "it", &load->scratch);
    pw_lang_error(load, at, path, "this is no JSON Schema: " PW_FMT, PW_ARG(words));
    return (pw_value){ 0 };
}

static bool is_json(pw_str format)
{
    return pw_str_is(format, "json") || pw_str_starts(format, PW_LIT("json:"));
}

pw_value pw_lang_data_schema(pw_load *load, const pw_node *outer, const pw_path *path,
                             const char *what)
{
    const pw_node *node = pw_lang_get(outer, "schema");
    const pw_path *step = PW_STEP(path, "schema");
    pw_str resource = pw_arena_printf(&load->scratch, "%s.schema.resource", what);
    const pw_rule rules[] = { { "format", NULL },
                              { "document", NULL },
                              { "resource", resource.ptr } };
    if (!pw_lang_is_map(load, node, step))
        return (pw_value){ 0 };
    pw_lang_members(load, node, step, rules, PW_LENGTH(rules));
    const pw_node *format = pw_lang_get(node, "format"), *document = pw_lang_get(node, "document");
    pw_str text;
    if (pw_lang_string(load, format, PW_STEP(step, "format"), &text) && !is_json(text)) {
        pw_str named = pw_arena_printf(&load->scratch, "%s.schema.format: " PW_FMT, what,
                                       PW_ARG(pw_lang_shown(load, text)));
        pw_lang_not_yet(load, format, PW_STEP(step, "format"), named.ptr);
        return (pw_value){ 0 };
    }
    if (!document) {
        if (!pw_lang_get(node, "resource"))
            (void)pw_lang_require(load, node, step, "document");
        return (pw_value){ 0 };
    }
    if (pw_lang_get(node, "resource"))
        pw_lang_error(load, node, step, "a schema is a 'document' or a 'resource', not both");
    return pw_lang_schema(load, document, PW_STEP(step, "document"));
}
