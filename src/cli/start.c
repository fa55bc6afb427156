/* start.c - `pawl start`: an instance of a published definition. */
#include <stdio.h>

#include "base/moment.h"
#include "cli/cli.h"

/* --at: an instant, or a length of time from now. */
static int start_time(cli_app *cli, cli_request *request)
{
    const char *at = cli_value(cli, "at");
    int64_t instant = 0;
    pw_duration after;
    if (!at)
        return EXIT_DONE;
    if (pw_moment_parse(&instant, pw_str_of(at), NULL) != PAWL_OK) {
        if (pw_duration_parse(&after, pw_str_of(at), NULL) != PAWL_OK)
            return cli_fail(
                cli, EXIT_USAGE,
                "option '--at' is an instant such as 2026-12-24T18:00:00Z, or a time from "
                "now such as 2h, not '%s'",
                at);
        instant = pw_duration_after(cli_now_ms(), after);
    }
    request_add(request, "startAt", pw_string_ref(pw_moment_text(&cli->arena, instant)));
    return EXIT_DONE;
}

int cli_start(cli_session *session, const char *name, pw_str version, pw_value input, pw_value *out)
{
    cli_app *cli = session->cli;
    cli_request request;
    request_begin(cli, &request, "start");
    request_text(&request, "name", name);
    if (version.len > 0)
        request_add(&request, "version", pw_string_ref(version));
    request_add(&request, "input", input);
    request_text(&request, "key", cli_value(cli, "id"));
    request_option(cli, &request, "correlation");
    int code = request_pairs(cli, &request, "labels", "label");
    if (code == EXIT_DONE)
        code = start_time(cli, &request);
    if (code == EXIT_DONE)
        code = request_who(cli, &request);
    if (code != EXIT_DONE)
        return code;
    pawl_error err;
    if (session_call(session, pw_object_end(&request), out, &err) != PAWL_OK)
        return cli_fail_error(cli, &err);
    cli_warn(cli, *out);
    return EXIT_DONE;
}

static int start(cli_app *cli)
{
    pw_value input, answer;
    int code = cli_json_option(cli, "input", &input);
    if (code != EXIT_DONE)
        return code;
    const char *until = NULL;
    if ((code = cli_until(cli, &until)) != EXIT_DONE)
        return code;
    cli_session session = { .cli = cli };
    if ((code = session_open(&session)) != EXIT_DONE)
        return code;
    code = cli_start(&session, cli->positionals[0], pw_str_of(cli_value(cli, "version")), input,
                     &answer);
    if (code == EXIT_DONE)
        code = cli_drive(&session, answer, until, false);
    session_close(&session);
    return code;
}

// clang-format off
static const cli_option options[] = {
    { "input", "JSON", NULL, "the workflow's input: JSON, or @FILE, or @- for standard input; else null" },
    { "id", "KEY", NULL, "business key: with one that was used before, the first instance is given back" },
    { "version", "VERSION", NULL, "of the definition; else the newest published" },
    CLI_START_OPTIONS,
    CLI_UNTIL,
    { "no-wait", NULL, NULL, "end as soon as the start is committed" },
};

const cli_command command_start = {
    .name = "start", .positionals = "NAME", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INSTANCES, .run = start,
    .options = options, .option_count = PW_LENGTH(options),
    .summary = "start an instance of a published definition",
    .text =
        "NAME is the definition's name, or NAMESPACE/NAME. On a store that nobody owns, the command drives\n"
        "what there is to do until the next timer, person or message, and ends; on one that another process\n"
        "owns, that process does. Prints the instance's id and status.",
    .examples =
        "pawl start order --db sqlite:shop.db --id order-1002 --input @order.json\n"
        "pawl start shop/order --db sqlite:shop.db --version 1.0.0 --until end",
};
// clang-format on
