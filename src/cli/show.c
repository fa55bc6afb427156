/* show.c - `pawl show`: one instance, what it waits for, and what to type next. */
#include <stdio.h>

#include "cli/cli.h"

static int show(cli_app *cli)
{
    cli_request request;
    request_begin(cli, &request, "show");
    request_text(&request, "id", cli->positionals[0]);
    return cli_ask(cli, true, pw_object_end(&request), print_instance);
}

// clang-format off
const cli_command command_show = {
    .name = "show", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INSTANCES, .run = show,
    .summary = "show an instance: status, what it waits for, input, output, error",
    .text =
        "For each thing it waits for, the command that moves it is printed too.\n"
        "Only looks: it works beside the process that owns the store.",
    .examples = "pawl show 01kaq0f3s7 --db sqlite:shop.db",
    .exits = "0 done; 2 no such instance; 3 store or system trouble",
};
// clang-format on
