/* show.c - `pawl show`: one instance, what it waits for, and what to type next. */
#include <stdio.h>

#include "cli/cli.h"

static pawl_code look(cli_session *session, pw_str id, pw_value *out, pawl_error *err)
{
    cli_request request;
    request_begin(session->cli, &request, "show");
    request_add(&request, "id", pw_string_ref(id));
    session->ask_owner = true;
    pawl_code code = session_call(session, pw_object_end(&request), out, err);
    session->ask_owner = false;
    return code;
}

static void print(cli_app *cli, pw_value instance)
{
    if (cli->json)
        out_json(instance, PW_JSON_COMPACT);
    else
        print_instance(cli, instance);
}

/* What is being undone, and how far it is. */
static pawl_code look_at_plan(cli_session *session, pw_value instance, pawl_error *err)
{
    cli_app *cli = session->cli;
    cli_request request;
    pw_value plan;
    if (cli->json || !pw_str_is(pw_get_text(instance, "status"), "compensating"))
        return PAWL_OK;
    request_begin(cli, &request, "compensation");
    request_add(&request, "id", pw_get_lit(instance, "id"));
    pawl_code code = session_call(session, pw_object_end(&request), &plan, err);
    if (code != PAWL_OK)
        return code;
    out_text("\ncompensation\n");
    print_plan(cli, plan);
    return PAWL_OK;
}

static int show(cli_app *cli)
{
    bool follow = cli_flag(cli, "follow");
    pw_str id = pw_str_of(cli->positionals[0]);
    cli_session session = { .cli = cli, .look = true };
    int code = session_open(&session);
    if (code != EXIT_DONE)
        return code;
    pw_arena_mark mark = pw_arena_at(&cli->arena);
    pawl_error err;
    pw_value instance;
    int64_t token = 0;
    pawl_code asked = look(&session, id, &instance, &err);
    while (asked == PAWL_OK) {
        print(cli, instance);
        asked = look_at_plan(&session, instance, &err);
        if (asked != PAWL_OK)
            break;
        (void)pw_integer(pw_get_lit(instance, "token"), &token);
        if (!follow || pw_get_text(instance, "endedAt").len > 0 || !out_now())
            break;
        do {
            pw_arena_rewind(&cli->arena, mark);
            asked = session_wait_moved(&session, id, token, &err);
        } while (asked == PAWL_TIMEOUT && !cli_interrupted());
        if (asked == PAWL_OK)
            asked = look(&session, id, &instance, &err);
        if (asked == PAWL_OK && !cli->json)
            out_text("\n");
    }
    if (cli_interrupted())
        code = 128 + cli_interrupted();
    else if (asked != PAWL_OK)
        code = cli_fail_error(cli, &err);
    session_close(&session);
    return code;
}

// clang-format off
static const cli_option options[] = {
    { "follow", NULL, NULL, "again whenever it has moved, until it has ended" },
};

const cli_command command_show = {
    .name = "show", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INSTANCES, .run = show,
    .options = options, .option_count = PW_LENGTH(options),
    .summary = "show an instance: status, what it waits for, input, output, error",
    .text =
        "For each thing it waits for, the command that moves it is printed too.\n"
        "Only looks: it works beside the process that owns the store.",
    .examples = "pawl show 01kaq0f3s7 --db sqlite:shop.db",
    .exits = "0 done; 2 no such instance; 3 store or system trouble",
};
// clang-format on
