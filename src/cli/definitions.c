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
    table *t = table_new(arena, heads, PW_LENGTH(heads));
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
    cli_say_more(cli, page);
}

static int definitions(cli_app *cli)
{
    uint64_t limit = 0;
    if (!cli_number(cli, "limit", 1, 1000, 100, &limit))
        return EXIT_USAGE;
    cli_request request;
    request_begin(cli, &request, "definitions");
    request_option(cli, &request, "name");
    request_option(cli, &request, "after");
    request_add(&request, "limit", pw_int((int64_t)limit));
    return cli_ask(cli, CLI_LOOK, pw_object_end(&request), print_page);
}

static void print_document(cli_app *cli, pw_value found)
{
    (void)cli;
    out_str(pw_get_text(found, "document")); /* byte for byte: it may go into a file */
}

static int definition(cli_app *cli)
{
    const char *name, *version;
    split(cli, &name, &version);
    cli_request request;
    request_begin(cli, &request, "definition");
    request_text(&request, "name", name);
    request_text(&request, "version", version);
    return cli_ask(cli, CLI_LOOK, pw_object_end(&request), print_document);
}

/* ---- status */

static void print_status(cli_app *cli, pw_value answer)
{
    (void)cli;
    out_safe(pw_get_text(answer, "name"));
    out_text(" ");
    out_safe(pw_get_text(answer, "version"));
    out_text(" is ");
    out_safe(pw_get_text(answer, "status"));
    out_text("\n");
}

static int set_status(cli_app *cli)
{
    const char *name, *version, *status = "published";
    split(cli, &name, &version);
    if (!version || version[0] == '\0')
        return cli_fail(cli, EXIT_USAGE, "which version? Write %s@VERSION", name);
    if (!cli_flag(cli, "undo"))
        status = cli->command == &command_archive ? "archived" : "deprecated";
    cli_request request;
    request_begin(cli, &request, "status");
    request_text(&request, "name", name);
    request_text(&request, "version", version);
    request_text(&request, "status", status);
    return cli_ask(cli, CLI_CHANGE, pw_object_end(&request), print_status);
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
    .name = "definitions", .positionals = "", .least = 0, .most = 0, .has_store = true, .group = CLI_GROUP_DEFINITIONS, .run = definitions,
    .options = list_options, .option_count = PW_LENGTH(list_options),
    .summary = "list what is published, with versions and living instances",
    .text =
        "By namespace and name, the newest version of each first. INSTANCES have not ended.\n"
        "Only looks: it works beside the process that owns the store.",
    .examples = "pawl definitions --db sqlite:shop.db --name order",
    .exits = "0 done; 2 usage; 3 store or system trouble",
};

const cli_command command_definition = {
    .name = "definition", .positionals = "NAME[@VERSION]", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_DEFINITIONS,
    .run = definition,
    .summary = "print a published definition as it was given",
    .text =
        "NAME is the definition's name, or NAMESPACE/NAME; without a version the newest published one, or if\n"
        "none is, the newest. With --json, its status and digest, too. Only looks.",
    .examples = "pawl definition order@1.0.0 --db sqlite:shop.db > order.yaml",
    .exits = "0 done; 2 no such definition; 3 store or system trouble",
};

const cli_command command_deprecate = {
    .name = "deprecate", .positionals = "NAME@VERSION", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_DEFINITIONS,
    .run = set_status, .options = status_options, .option_count = PW_LENGTH(status_options),
    .summary = "let a version be started only by naming it, with a warning",
    .text =
        "Who starts the definition without a version gets the newest that is published. Running instances go\n"
        "on. Harmless when repeated; --undo publishes it again.",
    .examples = "pawl deprecate order@1.0.0 --db sqlite:shop.db",
    .exits = "0 done; 2 no such version; 3 store or system trouble",
};

const cli_command command_archive = {
    .name = "archive", .positionals = "NAME@VERSION", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_DEFINITIONS,
    .run = set_status, .options = status_options, .option_count = PW_LENGTH(status_options),
    .summary = "let a version be started no more",
    .text =
        "Running instances go on, and the definition stays readable. Harmless when repeated; --undo publishes\n"
        "it again.",
    .examples = "pawl archive shop/order@1.0.0 --db sqlite:shop.db",
    .exits = "0 done; 2 no such version; 3 store or system trouble",
};
// clang-format on
