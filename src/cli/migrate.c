/* migrate.c - `pawl migrate`: the store's schema becomes this program's. */
#include <stdio.h>

#include "cli/cli.h"

static int migrate(cli_app *cli)
{
    if (!cli->db)
        return cli_fail(cli, EXIT_USAGE,
                        "which store? Give --db sqlite:PATH, or set PAWL_DB in the environment");
    int from = 0, to = 0;
    pawl_error err;
    if (pawl_migrate(cli->db, &from, &to, &err) != PAWL_OK) {
        (void)cli_fail_error(cli, &err);
        return EXIT_TROUBLE;
    }
    if (cli->json)
        out_printf("{\"from\":%d,\"to\":%d}\n", from, to);
    else if (from == to)
        out_printf("schema %d is current\n", to);
    else
        out_printf("schema %d became %d\n", from, to);
    return EXIT_DONE;
}

// clang-format off
const cli_command command_migrate = {
    .name = "migrate", .positionals = "", .least = 0, .most = 0, .has_store = true, .local = true, .group = CLI_GROUP_SERVER, .run = migrate,
    .summary = "bring an old store up to this program",
    .text = "Harmless when repeated. Nothing else may own the store meanwhile. A new store is made by the first\n"
        "`pawl deploy` or `pawl run`, not by this.",
    .examples = "pawl migrate --db sqlite:shop.db",
    .exits = "0 done; 2 usage; 3 store or system trouble",
};
// clang-format on
