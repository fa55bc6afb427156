/* deploy.c - `pawl deploy`: publish a definition. */
#include <stdio.h>

#include "cli/cli.h"

#define DOCUMENT_MAX ((size_t)16 << 20)

static int deploy(cli_app *cli)
{
    const char *path = cli->positionals[0];
    pw_str text;
    int code = cli_read_file(cli, path, DOCUMENT_MAX, &text);
    if (code == EXIT_DONE)
        code = cli_check_definition(cli, path, text);
    if (code != EXIT_DONE)
        return code;
    cli_session session = { .cli = cli, .create = true };
    code = session_open(&session);
    if (code != EXIT_DONE)
        return code;
    pw_value answer;
    code = session_deploy(&session, path, text, &answer);
    session_close(&session);
    if (code != EXIT_DONE)
        return code;
    if (cli->json) {
        out_json(answer, PW_JSON_COMPACT);
        return EXIT_DONE;
    }
    out_safe(pw_get_text(answer, "namespace"));
    out_text("/");
    out_safe(pw_get_text(answer, "name"));
    out_text(" ");
    out_safe(pw_get_text(answer, "version"));
    out_text(pw_truthy(pw_get_lit(answer, "created")) ? " published\n" : " was published before\n");
    pw_str schedule = pw_get_text(answer, "schedule");
    if (schedule.len > 0) {
        out_text("schedule ");
        out_safe(schedule);
        out_text("\n");
    }
    return EXIT_DONE;
}

// clang-format off
const cli_command command_deploy = {
    .name = "deploy", .positionals = "FILE", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_DEFINITIONS, .run = deploy,
    .summary = "check a definition and publish it in the store",
    .text =
        "A published definition never changes: the same content again is a success without effect, other\n"
        "content under the same namespace, name and version is refused. Raise document.version instead.\n"
        "Makes the store if there is none. If it has a 'schedule', that begins; `pawl schedules` shows it.",
    .examples = "pawl deploy order.yaml --db sqlite:shop.db",
    .exits = "0 published; 2 the definition has errors or another content has its version; 3 store or system trouble",
};
// clang-format on
