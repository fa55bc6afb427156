/* metrics.c - `pawl metrics`: the numbers of all parts, as Prometheus reads them. */
#include "cli/cli.h"

static void print_metrics(cli_app *cli, pw_value answer)
{
    (void)cli; /* its labels hold nothing that a terminal would obey */
    out_str(pw_get_text(answer, "text"));
}

static int metrics(cli_app *cli)
{
    cli_request request;
    request_begin(cli, &request, "metrics");
    return cli_ask(cli, CLI_ASK_OWNER, pw_object_end(&request), print_metrics);
}

// clang-format off
const cli_command command_metrics = {
    .name = "metrics", .positionals = "", .least = 0, .most = 0, .has_store = true, .group = CLI_GROUP_SERVER, .run = metrics,
    .summary = "print the numbers of all parts, in the format that Prometheus reads",
    .text =
        "What a server gives at /metrics: instances, background services, calls and breakers, the store, faults and\n"
        "incidents. Of the process that owns the store; without one, only what is in the store is counted. Only looks.",
    .examples =
        "pawl metrics --db sqlite:shop.db | grep pawl_incidents_open\n"
        "pawl metrics --db sqlite:shop.db > /var/lib/node_exporter/textfile/pawl.prom",
    .exits = "0 done; 2 usage; 3 store or system trouble",
};
// clang-format on
