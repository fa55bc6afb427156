/* graph.c - `pawl graph`: a workflow as a drawing, or as JSON for whoever draws it. */
#include <stdio.h>

#include "cli/cli.h"

#define DOCUMENT_MAX ((size_t)16 << 20)

static int graph(cli_app *cli)
{
    static const struct {
        const char *name;
        pawl_graph_format format;
    } formats[] = { { "mermaid", PAWL_GRAPH_MERMAID },
                    { "dot", PAWL_GRAPH_DOT },
                    { "json", PAWL_GRAPH_JSON } };
    const char *given = cli_value(cli, "format"), *path = cli->positionals[0];
    if (given && cli->json && strcmp(given, "json") != 0)
        return cli_fail(cli, EXIT_USAGE, "--json and --format %s contradict each other", given);
    if (!given)
        given = cli->json ? "json" : "mermaid";
    size_t at = 0;
    while (at < PW_LENGTH(formats) && strcmp(given, formats[at].name) != 0)
        at++;
    if (at == PW_LENGTH(formats))
        return cli_fail(cli, EXIT_USAGE, "option '--format' is mermaid, dot or json, not '%s'",
                        given);
    pw_str text;
    int code = cli_read_file(cli, path, DOCUMENT_MAX, &text);
    if (code == EXIT_DONE)
        code = cli_check_definition(cli, path, text);
    if (code != EXIT_DONE)
        return code;
    char *out = NULL;
    pawl_error err;
    if (pawl_graph(text.ptr, text.len, formats[at].format, NULL, NULL, &out, &err) != PAWL_OK)
        return cli_fail_error(cli, &err);
    out_text(out);
    if (formats[at].format == PAWL_GRAPH_JSON)
        out_text("\n");
    pawl_free(out);
    return EXIT_DONE;
}

// clang-format off
static const cli_option options[] = {
    { "format", "FORMAT", NULL, "mermaid (the default), dot (Graphviz), json" },
};

const cli_command command_graph = {
    .name = "graph", .positionals = "FILE", .least = 1, .most = 1, .has_store = false, .run = graph,
    .options = options, .option_count = PW_LENGTH(options),
    .summary = "draw a workflow: Mermaid, Graphviz or JSON",
    .text =
        "Tasks are nodes, tasks with others inside are boxes around them; edges are the order, 'then', cases with\n"
        "their conditions, loops, catch and retry. Made from what would run. '-' is standard input.",
    .examples =
        "pawl graph order.yaml > order.mmd\n"
        "pawl graph order.yaml --format dot | dot -Tsvg > order.svg\n"
        "pawl definition order --db sqlite:shop.db | pawl graph -",
    .exits = "0 done; 2 the definition has errors; 3 system trouble",
};
// clang-format on
