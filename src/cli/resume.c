/* resume.c - `pawl resume`: data for a bookmark that an instance waits at. */
#include <stdio.h>

#include "cli/cli.h"

static int resume(cli_app *cli)
{
    pw_arena *arena = &cli->arena;
    const char *key = cli_value(cli, "key"), *until = NULL;
    if (!key)
        return cli_fail(cli, EXIT_USAGE, "--key is missing: `pawl show ID` prints it");
    pw_value data;
    int code = cli_json_option(cli, "data", &data);
    if (code == EXIT_DONE)
        code = cli_until(cli, &until);
    if (code != EXIT_DONE)
        return code;
    pw_str id = pw_str_of(cli->positionals[0]);
    pw_value request =
        pw_object_of(arena,
                     (pw_member[]){ { PW_LIT("command"), pw_string_ref(PW_LIT("resume")) },
                                    { PW_LIT("id"), pw_string_ref(id) },
                                    { PW_LIT("key"), pw_string_ref(pw_str_of(key)) },
                                    { PW_LIT("data"), data },
                                    { PW_LIT("actor"), pw_string_ref(pw_str_of(cli_actor(cli))) } },
                     5);
    cli_session session = { .cli = cli };
    if ((code = session_open(&session)) != EXIT_DONE)
        return code;
    pw_value answer;
    pawl_error err;
    if (session_call(&session, request, &answer, &err) != PAWL_OK)
        code = cli_fail_error(cli, &err);
    else
        code = cli_drive(&session, id, until, false);
    session_close(&session);
    return code;
}

// clang-format off
static const cli_option options[] = {
    { "key", "KEY", NULL, "the bookmark's key, as `pawl show` prints it; required" },
    { "data", "JSON", NULL, "what is submitted: JSON, or @FILE, or @- for standard input; else null" },
    { "actor", "NAME", NULL, "who submits it, for the log; else the user's name" },
    { "until", "WHAT", NULL, "drive until it is idle (the default), settled, or at its end" },
    { "no-wait", NULL, NULL, "end as soon as the data is committed" },
};

const cli_command command_resume = {
    .name = "resume", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .run = resume,
    .options = options, .option_count = PW_LENGTH(options),
    .summary = "submit data to a waiting instance, so that it goes on",
    .text =
        "The data becomes the output of the task that waits. The same data again is a success without effect;\n"
        "other data for a bookmark that was answered is refused.",
    .examples = "pawl resume 01kaq0f3s7 --key approve-1 --data '{\"approved\": true}' --db sqlite:shop.db",
};
// clang-format on
