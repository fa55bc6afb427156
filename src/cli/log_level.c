/* log_level.c - `pawl log-level`: which lines a running process writes to its log. */
#include "cli/cli.h"

static int log_level(cli_app *cli)
{
    cli_request request;
    cli_session session = { .cli = cli, .store = cli->db, .never_own = true };
    request_begin(cli, &request, "log-level");
    request_text(&request, "level", cli->positional_count > 0 ? cli->positionals[0] : NULL);
    cli_hear_signals(0); /* there is nothing to bring to an end */
    int code = session_open(&session);
    if (code != EXIT_DONE)
        return code;
    pw_value answer;
    pawl_error err;
    if (session_call(&session, pw_object_end(&request), &answer, &err) != PAWL_OK) {
        code = cli_fail_error(cli, &err);
    } else if (cli->json) {
        out_json(answer, PW_JSON_COMPACT);
    } else {
        out_safe(pw_get_text(answer, "level"));
        out_text("\n");
    }
    session_close(&session);
    return code;
}

// clang-format off
const cli_command command_log_level = {
    .name = "log-level", .positionals = "[LEVELS]", .least = 0, .most = 1, .has_store = true, .group = CLI_GROUP_SERVER, .run = log_level,
    .summary = "print, or change, which lines a running server writes to its log",
    .text =
        "LEVELS is off, error, warning, info or debug, and behind it, with commas, levels of single components:\n"
        "info,http=debug. It holds until the server ends, or reads another Logging:Level with SIGHUP. Prints what holds.\n"
        "There must be a server, or another process that keeps a log: nothing is done to the store (doc/logging.md).",
    .examples = "pawl log-level --db sqlite:shop.db\npawl log-level info,http=debug,engine=debug --db sqlite:shop.db",
    .exits = "0 done; 2 usage, or no such level; 3 nobody owns the store, or it keeps no log",
};
// clang-format on
