/* command_definitions.c - commands of definitions: checked, drawn, published and looked at. */
#include "server/command.h"

enum { PAGE_MAX = 1000 };

/* The document: member "text", with its length, for it may hold a NUL, which the parser tells of. */
static pw_str document(pw_cmd *c)
{
    pw_value text = pw_get_lit(c->request, "text");
    if (!pw_is(text, PW_STRING))
        pw_cmd_refuse(c, PAWL_INVALID, "'text' must be the definition, as a string");
    return pw_text(text);
}

/* The namespace that the document is of is one of the member's. */
static pawl_code check_namespace(pw_cmd *c, pw_str text, pawl_error *err)
{
    pw_value allowed = pw_get_lit(c->request, "namespaces"), graph = { 0 };
    char *drawn = NULL;
    if (!pw_is(allowed, PW_ARRAY))
        return PAWL_OK;
    pawl_code code = pawl_graph(text.ptr, text.len, PAWL_GRAPH_JSON, NULL, NULL, &drawn, err);
    if (code == PAWL_INVALID) { /* what is wrong with it is told as by a deploy that nobody restricts */
        pawl_code told = pawl_validate(text.ptr, text.len, pw_cmd_finding, c, err);
        return told == PAWL_OK ? code : told;
    }
    if (code != PAWL_OK)
        return code;
    code = pw_json_parse(&graph, pw_str_of(drawn), NULL, &c->arena, err);
    pawl_free(drawn);
    if (code != PAWL_OK)
        return code;
    pw_str wanted = pw_get_text(pw_get_lit(graph, "document"), "namespace");
    for (uint32_t i = 0; i < allowed.count; i++)
        if (pw_str_eq(wanted, pw_text(pw_item(allowed, i))))
            return PAWL_OK;
    return pw_fail(err, PAWL_DENIED, "the document is of the namespace '" PW_FMT "', in which you may not deploy",
                   PW_ARG(wanted));
}

static pawl_code run_deploy(pw_cmd *c, pawl_error *err)
{
    pw_str text = document(c);
    (void)pw_cmd_typed(c, "namespaces", PW_ARRAY);
    pawl_code code = pw_cmd_read(c, err);
    if (code == PAWL_OK)
        code = check_namespace(c, text, err);
    return code == PAWL_OK ? pawl_deploy(c->p, text.ptr, text.len, pw_cmd_finding, c, &c->result_text, err) : code;
}

static pawl_code run_validate(pw_cmd *c, pawl_error *err)
{
    pw_str text = document(c);
    bool portable = pw_cmd_flag(c, "portable");
    pawl_code code = pw_cmd_read(c, err);
    if (code == PAWL_OK)
        code = (portable ? pawl_validate_portable : pawl_validate)(text.ptr, text.len, pw_cmd_finding, c, err);
    c->result = pw_object_of(&c->arena, (pw_member[]){ { PW_LIT("valid"), pw_bool(true) } }, 1);
    return code;
}

static pawl_graph_format graph_format(pw_cmd *c)
{
    static const char *const names[] = { [PAWL_GRAPH_JSON] = "json", [PAWL_GRAPH_MERMAID] = "mermaid", [PAWL_GRAPH_DOT] = "dot" };
    const char *word = pw_cmd_text(c, "format");
    size_t at = 0;
    while (word && at < PW_LENGTH(names) && strcmp(names[at], word) != 0)
        at++;
    if (at == PW_LENGTH(names))
        pw_cmd_refuse(c, PAWL_INVALID, "'format' is json, mermaid or dot, not '%.40s'", word);
    return (pawl_graph_format)at;
}

/* Of a document that is given, or of one that is published. */
static pawl_code run_graph(pw_cmd *c, pawl_error *err)
{
    pawl_graph_format format = graph_format(c);
    const char *name = pw_cmd_text(c, "name"), *version = pw_cmd_text(c, "version");
    pw_str text = { 0 };
    pw_value stored = { 0 };
    if (!name)
        text = document(c);
    else if (!pw_is(pw_get_lit(c->request, "text"), PW_NONE))
        pw_cmd_refuse(c, PAWL_INVALID, "'text' and 'name': one of the two");
    pawl_code code = pw_cmd_read(c, err);
    if (code == PAWL_OK && name) {
        code = pawl_definition(c->p, name, version, &c->result_text, err);
        if (code == PAWL_OK)
            code = pw_cmd_result(c, &stored, err);
        text = pw_get_text(stored, "document");
    }
    pawl_free(c->result_text);
    c->result_text = NULL;
    char *drawn = NULL;
    if (code == PAWL_OK)
        code = pawl_graph(text.ptr, text.len, format, pw_cmd_finding, c, &drawn, err);
    if (code == PAWL_OK && format == PAWL_GRAPH_JSON)
        c->result_text = drawn;
    else
        c->result = pw_object_of(&c->arena, (pw_member[]){ { PW_LIT("text"), pw_cmd_own(c, drawn) } }, 1);
    return code;
}

static pawl_code run_status(pw_cmd *c, pawl_error *err)
{
    const char *name = pw_cmd_needed(c, "name"), *version = pw_cmd_needed(c, "version");
    const char *status = pw_cmd_needed(c, "status");
    pawl_code code = pw_cmd_read(c, err);
    if (code == PAWL_OK)
        code = pawl_definition_status(c->p, name, version, status, err);
    if (code == PAWL_OK)
        c->result = pw_object_of(
            &c->arena,
            (pw_member[]){ { PW_LIT("name"), pw_string_ref(pw_str_of(name)) },
                           { PW_LIT("version"), pw_string_ref(pw_str_of(version)) },
                           { PW_LIT("status"), pw_string_ref(pw_str_of(status)) } },
            3);
    return code;
}

static pawl_code run_definition(pw_cmd *c, pawl_error *err)
{
    const char *name = pw_cmd_needed(c, "name"), *version = pw_cmd_text(c, "version");
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_definition(c->p, name, version, &c->result_text, err) : code;
}

static pawl_code run_definitions(pw_cmd *c, pawl_error *err)
{
    const pawl_definitions_options options = {
        .struct_size = sizeof options,
        .name = pw_cmd_text(c, "name"),
        .namespaces = pw_cmd_typed(c, "namespaces", PW_ARRAY),
        .after = pw_cmd_text(c, "after"),
        .limit = (uint32_t)pw_cmd_number(c, "limit", PAGE_MAX),
    };
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_definitions(c->p, &options, &c->result_text, err) : code;
}

// clang-format off
static const pw_cmd_entry entries[] = {
    { { "deploy",   PW_ROLE_OPERATOR, PW_SCOPE_LIST, .changes = true }, { "text", "namespaces" }, run_deploy },
    { { "validate", PW_ROLE_ANY,      PW_SCOPE_NONE }, { "text", "portable" }, run_validate },
    { { "graph",    PW_ROLE_VIEWER,   PW_SCOPE_DEFINITION }, { "text", "name", "version", "format" }, run_graph },
    { { "status",   PW_ROLE_OPERATOR, PW_SCOPE_DEFINITION, .changes = true }, { "name", "version", "status" }, run_status },
    { { "definition",  PW_ROLE_VIEWER, PW_SCOPE_DEFINITION }, { "name", "version" }, run_definition },
    { { "definitions", PW_ROLE_VIEWER, PW_SCOPE_LIST }, { "name", "namespaces", "after", "limit" }, run_definitions },
};
// clang-format on
const pw_cmd_table pw_commands_definitions = { entries, PW_LENGTH(entries) };
