/* show.c - `pawl show`: one instance, what it waits for, and what to type next. */
#include <stdio.h>

#include "cli/cli.h"

static int show(cli_app *cli)
{
    pawl *p = NULL;
    int code = cli_open_reader(cli, &p);
    if (code != EXIT_DONE)
        return code;
    char *text = NULL;
    pawl_error err;
    pw_value instance;
    pawl_code called = pawl_show(p, cli->positionals[0], &text, &err);
    if (called == PAWL_OK)
        called = pw_json_parse(&instance, pw_str_of(text), NULL, &cli->arena, &err);
    pawl_free(text);
    pawl_close(p);
    if (called != PAWL_OK)
        return cli_fail_error(cli, &err);
    if (cli->json)
        out_json(instance, PW_JSON_COMPACT);
    else
        print_instance(cli, instance);
    return EXIT_DONE;
}

// clang-format off
const cli_command command_show = {
    .name = "show", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .run = show,
    .summary = "show an instance: status, what it waits for, input, output, error",
    .text =
        "For each thing it waits for, the command that moves it is printed too.\n"
        "Only looks: it works beside the process that owns the store.",
    .examples = "pawl show 01kaq0f3s7 --db sqlite:shop.db",
    .exits = "0 done; 2 no such instance; 3 store or system trouble",
};
// clang-format on
