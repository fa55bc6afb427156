/* change.c - `pawl cancel`, `suspend`, `continue`, `delete`: commands of one form, and what all commands that
 * move an instance share: driving it on, and saying where it stands, or would. */
#include <stdio.h>

#include "cli/cli.h"

int cli_until(cli_app *cli, const char **out)
{
    const char *until = cli_value(cli, "until");
    *out = "idle";
    if (cli_flag(cli, "dry-run")) {
        if (until || cli_flag(cli, "no-wait"))
            return cli_fail(cli, EXIT_USAGE, "--dry-run and --%s contradict each other", until ? "until" : "no-wait");
        *out = NULL;
        return EXIT_DONE;
    }
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
int cli_drive(cli_session *session, pw_value answer, const char *until, bool done_is_done)
{
    cli_app *cli = session->cli;
    pw_str id = pw_get_text(answer, "id");
    pw_value instance;
    pawl_error err;
    pawl_code code = PAWL_OK;
    if (until) {
        code = session_wait(session, id, until, &instance, &err);
        if (code == PAWL_OK)
            session_drain(session);
    }
    if (cli_interrupted() && code != PAWL_OK) {
        cli_note("pawl %s: it is committed; what is left to do is done %s", cli->command->name,
                 session->remote ? "by the server" : "when the store is opened next");
        return 128 + cli_interrupted();
    }
    if (code != PAWL_OK)
        return cli_fail_error(cli, &err);
    cli_request request;
    request_begin(cli, &request, "show");
    request_add(&request, "id", pw_string_ref(id));
    if (session_call(session, pw_object_end(&request), &instance, &err) != PAWL_OK)
        return cli_fail_error(cli, &err);
    static const char *const beside[] = { "from", "step", "done" }; /* of a rewind or a fork: shown with the instance */
    for (size_t i = 0; i < PW_LENGTH(beside); i++)
        instance = pw_with(&cli->arena, instance, pw_str_of(beside[i]), pw_get_lit(answer, beside[i]));
    int result = cli_finish(cli, instance);
    return done_is_done || !until ? EXIT_DONE : result;
}

/* How it was is asked first, so that the difference can be shown from both sides; what moves between has another token. */
static int dry_run(cli_session *session, cli_request *request)
{
    cli_app *cli = session->cli;
    cli_request look;
    pw_value answer, before = { 0 };
    pawl_error err;
    request_add(request, "dryRun", pw_bool(true));
    request_begin(cli, &look, "show");
    pw_value change = pw_object_end(request);
    pw_str id = pw_get_text(change, "id"), instance = { id.ptr, strcspn(id.ptr, "-") };
    request_add(&look, "id", pw_string_ref(instance));
    if (!cli->json && session_call(session, pw_object_end(&look), &before, &err) != PAWL_OK)
        before = (pw_value){ 0 };
    if (session_call(session, change, &answer, &err) != PAWL_OK)
        return cli_fail_error(cli, &err);
    if (!pw_equal(pw_get_lit(before, "token"), pw_get_lit(answer, "token")))
        before = (pw_value){ 0 };
    if (cli->json)
        out_json(answer, PW_JSON_COMPACT);
    else
        print_dry_run(cli, answer, before);
    return EXIT_DONE;
}

int cli_change(cli_app *cli, cli_request *request, const char *until, bool done_is_done)
{
    cli_session session = { .cli = cli };
    int code = session_open(&session);
    if (code != EXIT_DONE)
        return code;
    pw_value answer;
    pawl_error err;
    if (cli_flag(cli, "dry-run")) {
        code = dry_run(&session, request);
    } else if (session_call(&session, pw_object_end(request), &answer, &err) != PAWL_OK) {
        code = cli_fail_error(cli, &err);
    } else { /* of what the id names: it may be an incident's */
        pw_value done = pw_get_lit(answer, "done");
        if (!cli->json && pw_is(done, PW_ARRAY) && done.count > 0) {
            out_printf("was done outside since, and is not %s\n",
                       cli->command == &command_fork ? "done again" : "undone");
            print_effects(cli, done);
            out_text("\n");
        }
        code = cli_drive(&session, answer, until, done_is_done);
    }
    session_close(&session);
    return code;
}

static int change(cli_app *cli)
{
    const char *until = NULL;
    int code = cli_until(cli, &until);
    if (code != EXIT_DONE)
        return code;
    cli_request request;
    request_begin(cli, &request, cli->command->name);
    request_text(&request, "id", cli->positionals[0]);
    request_option(cli, &request, "reason");
    code = request_who(cli, &request);
    return code == EXIT_DONE ? cli_change(cli, &request, until, cli->command != &command_continue) : code;
}

static void print_deleted(cli_app *cli, pw_value answer)
{
    (void)cli;
    out_safe(pw_get_text(answer, "id"));
    out_text(" is deleted\n");
}

static int delete (cli_app *cli)
{
    cli_request request;
    request_begin(cli, &request, "delete");
    request_text(&request, "id", cli->positionals[0]);
    int code = request_who(cli, &request);
    return code == EXIT_DONE ? cli_ask(cli, CLI_CHANGE, pw_object_end(&request), print_deleted)
                             : code;
}

// clang-format off
static const cli_option stop_options[] = {
    CLI_REASON, CLI_DRY_RUN, CLI_ACTOR("does it"), CLI_KEY, CLI_IF_TOKEN, CLI_NO_WAIT,
};
static const cli_option continue_options[] = {
    CLI_REASON, CLI_DRY_RUN, CLI_ACTOR("does it"), CLI_KEY, CLI_IF_TOKEN, CLI_UNTIL, CLI_NO_WAIT,
};

const cli_command command_cancel = {
    .name = "cancel", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INSTANCES, .run = change,
    .options = stop_options, .option_count = PW_LENGTH(stop_options),
    .summary = "end an instance before its time",
    .text =
        "What it waits for is closed without effect; a call in flight is abandoned, and its late result only\n"
        "logged. Harmless when repeated; refused when the instance has ended otherwise.",
    .examples = "pawl cancel 01kaq0f3s7 --reason 'ordered twice' --db sqlite:shop.db",
    .exits = "0 cancelled; 2 no such instance, or it has ended; 3 store or system trouble",
};

const cli_command command_suspend = {
    .name = "suspend", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INSTANCES, .run = change,
    .options = stop_options, .option_count = PW_LENGTH(stop_options),
    .summary = "stop an instance until somebody continues it",
    .text =
        "Results of calls that are in flight are kept, and acted on when it goes on. Harmless when repeated;\n"
        "refused when the instance has ended.",
    .examples = "pawl suspend 01kaq0f3s7 --reason 'service is down' --db sqlite:shop.db",
    .exits = "0 suspended; 2 no such instance, or it has ended; 3 store or system trouble",
};

const cli_command command_continue = {
    .name = "continue", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INSTANCES, .run = change,
    .options = continue_options, .option_count = PW_LENGTH(continue_options),
    .summary = "let a suspended instance go on, and drive it",
    .text =
        "On an instance that is not suspended it changes nothing, and drives what is left to do: after a\n"
        "`pawl run` that was stopped, `pawl continue ID --until end` does the rest.",
    .examples = "pawl continue 01kaq0f3s7 --until end --db sqlite:shop.db",
};

static const cli_option delete_options[] = { CLI_ACTOR("does it"), CLI_KEY, CLI_IF_TOKEN };

const cli_command command_delete = {
    .name = "delete", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INSTANCES, .run = delete,
    .options = delete_options, .option_count = PW_LENGTH(delete_options),
    .summary = "delete an instance that has ended, with its log",
    .text = "There is no way back. One that has not ended is refused: cancel it first. So is one with an open incident: end\n"
            "that first, with `pawl fail` or `pawl cancel`.",
    .examples = "pawl delete 01kaq0f3s7 --db sqlite:shop.db",
    .exits = "0 deleted; 2 no such instance, it has not ended, or an incident is open; 3 store or system trouble",
};
// clang-format on
