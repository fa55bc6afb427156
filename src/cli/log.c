/* log.c - `pawl log`: everything that an instance did, step by step. */
#include <stdio.h>

#include "cli/cli.h"

/* One page; *from becomes the step to go on with, 0 at the end. */
static int print_steps(cli_session *session, uint64_t *from)
{
    cli_app *cli = session->cli;
    pawl_error err;
    pw_value page;
    cli_request request;
    request_begin(cli, &request, "log");
    request_text(&request, "id", cli->positionals[0]);
    request_add(&request, "from", pw_int((int64_t)*from));
    if (session_call(session, pw_object_end(&request), &page, &err) != PAWL_OK)
        return cli_fail_error(cli, &err);
    pw_value steps = pw_get_lit(page, "steps");
    for (uint32_t i = 0; i < steps.count; i++) {
        if (cli->json)
            out_json(pw_item(steps, i), PW_JSON_COMPACT);
        else
            print_step(cli, pw_item(steps, i), PW_LIT(""), print_line_out);
    }
    int64_t next = 0;
    if (!pw_integer(pw_get_lit(page, "next"), &next) || next <= (int64_t)*from)
        next = 0;
    *from = (uint64_t)next;
    return EXIT_DONE;
}

static int show_log(cli_app *cli)
{
    uint64_t from = 0;
    if (!cli_number(cli, "from", 1, INT64_MAX, 1, &from))
        return EXIT_USAGE;
    cli_session session = { .cli = cli, .look = true };
    int code = session_open(&session);
    if (code != EXIT_DONE)
        return code;
    pw_arena_mark mark = pw_arena_at(&cli->arena);
    do {
        code = print_steps(&session, &from);
        pw_arena_rewind(&cli->arena, mark); /* a long log passes through, page by page */
    } while (code == EXIT_DONE && from > 0 && !cli_interrupted());
    session_close(&session);
    return code;
}

// clang-format off
static const cli_option options[] = {
    { "from", "N", NULL, "the step to begin with; 1" },
};

const cli_command command_log = {
    .name = "log", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INSTANCES, .run = show_log,
    .options = options, .option_count = PW_LENGTH(options),
    .summary = "print the execution log of an instance",
    .text =
        "A line for each entry: time, step, what happened, task, details. Long values are cut; with --json\n"
        "each step is one whole line of JSON. Only looks: it works beside the process that owns the store.",
    .examples = "pawl log 01kaq0f3s7 --db sqlite:shop.db",
    .exits = "0 done; 2 no such instance; 3 store or system trouble",
};
// clang-format on
