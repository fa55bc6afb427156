/* change.c - `pawl cancel`, `suspend`, `continue`: three commands of one form, and what all
 * commands that move an instance share: driving it on, and saying where it stands. */
#include <stdio.h>

#include "cli/cli.h"

int cli_until(cli_app *cli, const char **out)
{
    const char *until = cli_value(cli, "until");
    *out = "idle";
    if (cli_flag(cli, "no-wait")) {
        if (until)
            return cli_fail(cli, EXIT_USAGE, "--no-wait and --until contradict each other");
        *out = NULL;
        return EXIT_DONE;
    }
    if (!until)
        return EXIT_DONE;
    if (strcmp(until, "idle") != 0 && strcmp(until, "settled") != 0 && strcmp(until, "end") != 0)
        return cli_fail(cli, EXIT_USAGE, "option '--until' is idle, settled or end, not '%s'",
                        until);
    *out = until;
    return EXIT_DONE;
}

/* Cancel and suspend are done when they are committed; the others end with what the status means.
 */
int cli_drive(cli_session *session, pw_str id, const char *until, bool done_is_done)
{
    cli_app *cli = session->cli;
    pw_value instance;
    pawl_error err;
    pawl_code code = PAWL_OK;
    if (until) {
        code = session_wait(session, id, until, &instance, &err);
        if (code == PAWL_OK)
            session_drain(session);
    }
    if (cli_interrupted() && code != PAWL_OK) {
        cli_note(
            "pawl %s: it is committed; what is left to do is done when the store is opened next",
            cli->command->name);
        return 128 + cli_interrupted();
    }
    if (code != PAWL_OK)
        return cli_fail_error(cli, &err);
    pw_value request =
        pw_object_of(&cli->arena,
                     (pw_member[]){ { PW_LIT("command"), pw_string_ref(PW_LIT("show")) },
                                    { PW_LIT("id"), pw_string_ref(id) } },
                     2);
    if (session_call(session, request, &instance, &err) != PAWL_OK)
        return cli_fail_error(cli, &err);
    int result = cli_finish(cli, instance);
    return done_is_done || !until ? EXIT_DONE : result;
}

static int change(cli_app *cli)
{
    const char *until = NULL, *reason = cli_value(cli, "reason");
    int code = cli_until(cli, &until);
    if (code != EXIT_DONE)
        return code;
    pw_str id = pw_str_of(cli->positionals[0]);
    pw_value none = { 0 };
    pw_value request = pw_object_of(
        &cli->arena,
        (pw_member[]){ { PW_LIT("command"), pw_string_ref(pw_str_of(cli->command->name)) },
                       { PW_LIT("id"), pw_string_ref(id) },
                       { PW_LIT("reason"), reason ? pw_string_ref(pw_str_of(reason)) : none },
                       { PW_LIT("actor"), pw_string_ref(pw_str_of(cli_actor(cli))) } },
        4);
    cli_session session = { .cli = cli };
    if ((code = session_open(&session)) != EXIT_DONE)
        return code;
    pw_value answer;
    pawl_error err;
    if (session_call(&session, request, &answer, &err) != PAWL_OK)
        code = cli_fail_error(cli, &err);
    else
        code = cli_drive(&session, id, until, cli->command != &command_continue);
    session_close(&session);
    return code;
}

// clang-format off
#define REASON { "reason", "TEXT", NULL, "why, for the log" }
#define ACTOR { "actor", "NAME", NULL, "who does it, for the log; else the user's name" }
static const cli_option stop_options[] = {
    REASON, ACTOR,
    { "no-wait", NULL, NULL, "end as soon as it is committed" },
};
static const cli_option continue_options[] = {
    REASON, ACTOR,
    { "until", "WHAT", NULL, "drive until it is idle (the default), settled, or at its end" },
    { "no-wait", NULL, NULL, "end as soon as it is committed" },
};

const cli_command command_cancel = {
    .name = "cancel", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .run = change,
    .options = stop_options, .option_count = PW_LENGTH(stop_options),
    .summary = "end an instance before its time",
    .text =
        "What it waits for is closed without effect; a call in flight is abandoned, and its late result only\n"
        "logged. Harmless when repeated; refused when the instance has ended otherwise.",
    .examples = "pawl cancel 01kaq0f3s7 --reason 'ordered twice' --db sqlite:shop.db",
    .exits = "0 cancelled; 2 no such instance, or it has ended; 3 store or system trouble",
};

const cli_command command_suspend = {
    .name = "suspend", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .run = change,
    .options = stop_options, .option_count = PW_LENGTH(stop_options),
    .summary = "stop an instance until somebody continues it",
    .text =
        "Results of calls that are in flight are kept, and acted on when it goes on. Harmless when repeated;\n"
        "refused when the instance has ended.",
    .examples = "pawl suspend 01kaq0f3s7 --reason 'service is down' --db sqlite:shop.db",
    .exits = "0 suspended; 2 no such instance, or it has ended; 3 store or system trouble",
};

const cli_command command_continue = {
    .name = "continue", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .run = change,
    .options = continue_options, .option_count = PW_LENGTH(continue_options),
    .summary = "let a suspended instance go on, and drive it",
    .text =
        "On an instance that is not suspended it changes nothing, and drives what is left to do: after a\n"
        "`pawl run` that was stopped, `pawl continue ID --until end` does the rest.",
    .examples = "pawl continue 01kaq0f3s7 --until end --db sqlite:shop.db",
};
// clang-format on
