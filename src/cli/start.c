/* start.c - `pawl start`: an instance of a published definition. */
#include <stdio.h>

#include "cli/cli.h"

static int start(cli_app *cli)
{
    pw_arena *arena = &cli->arena;
    pw_value input, none = { 0 };
    int code = cli_json_option(cli, "input", &input);
    if (code != EXIT_DONE)
        return code;
    const char *until = NULL;
    if ((code = cli_until(cli, &until)) != EXIT_DONE)
        return code;
    const char *key = cli_value(cli, "id"), *version = cli_value(cli, "version"),
               *correlation = cli_value(cli, "correlation");
    pw_value request = pw_object_of(
        arena,
        (pw_member[]){
            { PW_LIT("command"), pw_string_ref(PW_LIT("start")) },
            { PW_LIT("name"), pw_string_ref(pw_str_of(cli->positionals[0])) },
            { PW_LIT("version"), version ? pw_string_ref(pw_str_of(version)) : none },
            { PW_LIT("input"), input },
            { PW_LIT("key"), key ? pw_string_ref(pw_str_of(key)) : none },
            { PW_LIT("correlation"), correlation ? pw_string_ref(pw_str_of(correlation)) : none },
            { PW_LIT("actor"), pw_string_ref(pw_str_of(cli_actor(cli))) } },
        7);
    cli_session session = { .cli = cli };
    if ((code = session_open(&session)) != EXIT_DONE)
        return code;
    pw_value answer;
    pawl_error err;
    if (session_call(&session, request, &answer, &err) != PAWL_OK) {
        code = cli_fail_error(cli, &err);
    } else {
        cli_warn(cli, answer);
        code = cli_drive(&session, pw_get_text(answer, "id"), until, false);
    }
    session_close(&session);
    return code;
}

// clang-format off
static const cli_option options[] = {
    { "input", "JSON", NULL, "the workflow's input: JSON, or @FILE, or @- for standard input; else null" },
    { "id", "KEY", NULL, "business key: with one that was used before, the first instance is given back" },
    { "version", "VERSION", NULL, "of the definition; else the newest published" },
    { "correlation", "ID", NULL, "correlation id, for the log and for events; else the instance's id" },
    { "actor", "NAME", NULL, "who starts it, for the log; else the user's name" },
    { "until", "WHAT", NULL, "drive until it is idle (the default), settled, or at its end" },
    { "no-wait", NULL, NULL, "end as soon as the start is committed" },
};

const cli_command command_start = {
    .name = "start", .positionals = "NAME", .least = 1, .most = 1, .has_store = true, .run = start,
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
