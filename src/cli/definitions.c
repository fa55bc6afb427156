/* definitions.c - `pawl definitions`, `definition`, `deprecate`, `archive`: what is published, and
 * what of it may still be started. */
#include <stdio.h>

#include "cli/table.h"

/* ---- names */

/* NAME@VERSION of the command line; *version is NULL without one. A name has no '@'. */
static void split(cli_app *cli, const char **name, const char **version)
{
    const char *word = cli->positionals[0], *at = strchr(word, '@');
    *name = at ? pw_arena_printf(&cli->arena, "%.*s", (int)(at - word), word).ptr : word;
    *version = at ? at + 1 : NULL;
}

static pw_str full_name(pw_arena *arena, pw_value definition)
{
    return pw_arena_printf(arena, PW_FMT "/" PW_FMT, PW_ARG(pw_get_text(definition, "namespace")),
                           PW_ARG(pw_get_text(definition, "name")));
}

/* ---- looking */

static void print_page(cli_app *cli, pw_value page)
{
    static const char *const heads[] = { "DEFINITION", "VERSION", "STATUS", "INSTANCES",
                                         "PUBLISHED" };
    pw_arena *arena = &cli->arena;
    pw_value list = pw_get_lit(page, "definitions");
    table *t = PW_NEW(arena, table);
    for (uint32_t i = 0; i < PW_LENGTH(heads); i++)
        table_put(t, i, pw_str_of(heads[i]));
    t->rows++;
    for (uint32_t i = 0; i < list.count && t->rows < TABLE_ROWS; i++, t->rows++) {
        pw_value definition = pw_item(list, i);
        int64_t instances = 0;
        (void)pw_integer(pw_get_lit(definition, "instances"), &instances);
        table_put(t, 0, cli_safe(arena, full_name(arena, definition)));
        table_put(t, 1, cli_safe(arena, pw_get_text(definition, "version")));
        pw_str status = pw_get_text(definition, "status");
        if (pw_truthy(pw_get_lit(definition, "scheduled")))
            status = pw_arena_printf(arena, PW_FMT ", scheduled", PW_ARG(status));
        table_put(t, 2, cli_safe(arena, status));
        table_put(t, 3, pw_arena_printf(arena, "%lld", (long long)instances));
        table_put(t, 4, cli_safe(arena, pw_get_text(definition, "createdAt")));
    }
    if (list.count == 0)
        cli_note("pawl definitions: none are published");
    else
        table_print(t);
    pw_str next = pw_get_text(page, "next");
    if (next.len > 0)
        cli_note("pawl definitions: there are more: pawl definitions --after " PW_FMT PW_FMT,
                 PW_ARG(cli_quoted(arena, next)), PW_ARG(cli_db_words(cli)));
}

/* What the store answers, read as JSON. */
static int answer_of(cli_app *cli, pawl_code code, char *text, pw_value *out, pawl_error *err)
{
    if (code == PAWL_OK)
        code = pw_json_parse(out, pw_str_of(text), NULL, &cli->arena, err);
    pawl_free(text);
    return code == PAWL_OK ? EXIT_DONE : cli_fail_error(cli, err);
}

static int definitions(cli_app *cli)
{
    uint64_t limit = 0;
    if (!cli_number(cli, "limit", 1, 1000, 100, &limit))
        return EXIT_USAGE;
    pawl *p = NULL;
    int code = cli_open_reader(cli, &p);
    if (code != EXIT_DONE)
        return code;
    pawl_definitions_options options = { .struct_size = sizeof options,
                                         .name = cli_value(cli, "name"),
                                         .after = cli_value(cli, "after"),
                                         .limit = (uint32_t)limit };
    char *text = NULL;
    pawl_error err;
    pw_value page;
    pawl_code called = pawl_definitions(p, &options, &text, &err);
    code = answer_of(cli, called, text, &page, &err);
    pawl_close(p);
    if (code != EXIT_DONE)
        return code;
    if (cli->json)
        out_json(page, PW_JSON_COMPACT);
    else
        print_page(cli, page);
    return EXIT_DONE;
}

static int definition(cli_app *cli)
{
    const char *name, *version;
    split(cli, &name, &version);
    pawl *p = NULL;
    int code = cli_open_reader(cli, &p);
    if (code != EXIT_DONE)
        return code;
    char *text = NULL;
    pawl_error err;
    pw_value found;
    pawl_code called = pawl_definition(p, name, version, &text, &err);
    code = answer_of(cli, called, text, &found, &err);
    pawl_close(p);
    if (code != EXIT_DONE)
        return code;
    if (cli->json)
        out_json(found, PW_JSON_COMPACT);
    else
        out_str(pw_get_text(found, "document")); /* byte for byte: it may go into a file */
    return EXIT_DONE;
}

/* ---- status */

static int set_status(cli_app *cli)
{
    const char *name, *version, *status = "published";
    split(cli, &name, &version);
    if (!version || version[0] == '\0')
        return cli_fail(cli, EXIT_USAGE, "which version? Write %s@VERSION", name);
    if (!cli_flag(cli, "undo"))
        status = cli->command == &command_archive ? "archived" : "deprecated";
    pw_value request =
        pw_object_of(&cli->arena,
                     (pw_member[]){ { PW_LIT("command"), pw_string_ref(PW_LIT("status")) },
                                    { PW_LIT("name"), pw_string_ref(pw_str_of(name)) },
                                    { PW_LIT("version"), pw_string_ref(pw_str_of(version)) },
                                    { PW_LIT("status"), pw_string_ref(pw_str_of(status)) } },
                     4);
    cli_session session = { .cli = cli };
    int code = session_open(&session);
    if (code != EXIT_DONE)
        return code;
    pw_value answer;
    pawl_error err;
    if (session_call(&session, request, &answer, &err) != PAWL_OK)
        code = cli_fail_error(cli, &err);
    session_close(&session);
    if (code != EXIT_DONE)
        return code;
    if (cli->json) {
        out_json(answer, PW_JSON_COMPACT);
        return EXIT_DONE;
    }
    out_safe(pw_get_text(answer, "name"));
    out_text(" ");
    out_safe(pw_get_text(answer, "version"));
    out_text(" is ");
    out_safe(pw_get_text(answer, "status"));
    out_text("\n");
    return EXIT_DONE;
}

// clang-format off
static const cli_option list_options[] = {
    { "name", "NAME", NULL, "only of this name: name or namespace/name" },
    { "limit", "N", NULL, "rows of one page; 100" },
    { "after", "CURSOR", NULL, "the page behind; the page before names it" },
};
static const cli_option status_options[] = {
    { "undo", NULL, NULL, "make it a published one again" },
};

const cli_command command_definitions = {
    .name = "definitions", .positionals = "", .least = 0, .most = 0, .has_store = true, .run = definitions,
    .options = list_options, .option_count = PW_LENGTH(list_options),
    .summary = "list what is published, with versions and living instances",
    .text =
        "By namespace and name, the newest version of each first. INSTANCES have not ended.\n"
        "Only looks: it works beside the process that owns the store.",
    .examples = "pawl definitions --db sqlite:shop.db --name order",
    .exits = "0 done; 2 usage; 3 store or system trouble",
};

const cli_command command_definition = {
    .name = "definition", .positionals = "NAME[@VERSION]", .least = 1, .most = 1, .has_store = true,
    .run = definition,
    .summary = "print a published definition as it was given",
    .text =
        "NAME is the definition's name, or NAMESPACE/NAME; without a version the newest published one, or if\n"
        "none is, the newest. With --json, its status and digest, too. Only looks.",
    .examples = "pawl definition order@1.0.0 --db sqlite:shop.db > order.yaml",
    .exits = "0 done; 2 no such definition; 3 store or system trouble",
};

const cli_command command_deprecate = {
    .name = "deprecate", .positionals = "NAME@VERSION", .least = 1, .most = 1, .has_store = true,
    .run = set_status, .options = status_options, .option_count = PW_LENGTH(status_options),
    .summary = "let a version be started only by naming it, with a warning",
    .text =
        "Who starts the definition without a version gets the newest that is published. Running instances go\n"
        "on. Harmless when repeated; --undo publishes it again.",
    .examples = "pawl deprecate order@1.0.0 --db sqlite:shop.db",
    .exits = "0 done; 2 no such version; 3 store or system trouble",
};

const cli_command command_archive = {
    .name = "archive", .positionals = "NAME@VERSION", .least = 1, .most = 1, .has_store = true,
    .run = set_status, .options = status_options, .option_count = PW_LENGTH(status_options),
    .summary = "let a version be started no more",
    .text =
        "Running instances go on, and the definition stays readable. Harmless when repeated; --undo publishes\n"
        "it again.",
    .examples = "pawl archive shop/order@1.0.0 --db sqlite:shop.db",
    .exits = "0 done; 2 no such version; 3 store or system trouble",
};
// clang-format on
