/* resume.c - `pawl resume`: data for a bookmark that an instance waits at. */
#include <stdio.h>

#include "cli/cli.h"

static int resume(cli_app *cli)
{
    const char *key = cli_value(cli, "key"), *until = NULL;
    if (!key)
        return cli_fail(cli, EXIT_USAGE, "--key is missing: `pawl show ID` prints it");
    pw_value data;
    int code = cli_json_option(cli, "data", &data);
    if (code == EXIT_DONE)
        code = cli_until(cli, &until);
    if (code != EXIT_DONE)
        return code;
    cli_request request;
    request_begin(cli, &request, "resume");
    request_text(&request, "id", cli->positionals[0]);
    request_text(&request, "key", key);
    request_add(&request, "data", data);
    code = request_who(cli, &request);
    return code == EXIT_DONE ? cli_change(cli, &request, until, false) : code;
}

// clang-format off
static const cli_option options[] = {
    { "key", "KEY", NULL, "the bookmark's key, as `pawl show` prints it; required" },
    { "data", "JSON", NULL, "what is submitted: JSON, or @FILE, or @- for standard input; else null" },
    CLI_ACTOR("submits it"), CLI_KEY, CLI_IF_TOKEN,
    CLI_UNTIL,
    { "no-wait", NULL, NULL, "end as soon as the data is committed" },
};

const cli_command command_resume = {
    .name = "resume", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INSTANCES, .run = resume,
    .options = options, .option_count = PW_LENGTH(options),
    .summary = "submit data to a waiting instance, so that it goes on",
    .text =
        "The data becomes the output of the task that waits. The same data again is a success without effect;\n"
        "other data for a bookmark that was answered is refused.",
    .examples = "pawl resume 01kaq0f3s7 --key approve-1 --data '{\"approved\": true}' --db sqlite:shop.db",
};
// clang-format on
