/* log.c - `pawl log`: everything that an instance did, step by step. */
#include <stdio.h>

#include "cli/cli.h"

/* One page; *from becomes the step to go on with, *more tells whether there is another page now. */
static pawl_code print_steps(cli_session *session, int64_t *from, bool *more, pawl_error *err)
{
    cli_app *cli = session->cli;
    pw_value page;
    cli_request request;
    request_begin(cli, &request, "log");
    request_text(&request, "id", cli->positionals[0]);
    request_add(&request, "from", pw_int(*from));
    pawl_code code = session_call(session, pw_object_end(&request), &page, err);
    if (code != PAWL_OK)
        return code;
    pw_value steps = pw_get_lit(page, "steps");
    int64_t sequence = 0, next = 0;
    for (uint32_t i = 0; i < steps.count; i++) {
        if (cli->json)
            out_json(pw_item(steps, i), PW_JSON_COMPACT);
        else
            print_step(cli, pw_item(steps, i), PW_LIT(""), print_line_out);
        if (pw_integer(pw_get_lit(pw_item(steps, i), "sequence"), &sequence))
            *from = sequence + 1;
    }
    *more = pw_integer(pw_get_lit(page, "next"), &next) && next > sequence;
    return PAWL_OK;
}

/* All pages that there are. A long log passes through, page by page. */
static pawl_code print_pages(cli_session *session, int64_t *from, pawl_error *err)
{
    pw_arena_mark mark = pw_arena_at(&session->cli->arena);
    bool more = true;
    pawl_code code = PAWL_OK;
    while (code == PAWL_OK && more && !cli_interrupted()) {
        code = print_steps(session, from, &more, err);
        pw_arena_rewind(&session->cli->arena, mark);
    }
    return code;
}

/* The number of its last step, and whether there will be none behind it. */
static pawl_code where_it_is(cli_session *session, int64_t *token, bool *ended, pawl_error *err)
{
    cli_request request;
    pw_value head;
    request_begin(session->cli, &request, "head");
    request_text(&request, "id", session->cli->positionals[0]);
    pawl_code code = session_call(session, pw_object_end(&request), &head, err);
    *ended = code == PAWL_OK && pw_get_text(head, "endedAt").len > 0;
    *token = 0;
    (void)(code == PAWL_OK && pw_integer(pw_get_lit(head, "token"), token));
    return code;
}

static pawl_code follow(cli_session *session, int64_t *from, pawl_error *err)
{
    pw_arena_mark mark = pw_arena_at(&session->cli->arena);
    pawl_code code = PAWL_OK;
    while (code == PAWL_OK && !cli_interrupted() && out_now()) {
        int64_t token;
        bool ended;
        code = where_it_is(session, &token, &ended, err);
        if (code == PAWL_OK && token >= *from)
            code = print_pages(session, from, err);
        else if (ended)
            break;
        else if (code == PAWL_OK)
            code = session_wait_moved(session, pw_str_of(session->cli->positionals[0]), token, err);
        if (code == PAWL_TIMEOUT)
            code = PAWL_OK;
        pw_arena_rewind(&session->cli->arena, mark);
    }
    return code;
}

static int show_log(cli_app *cli)
{
    uint64_t first = 0;
    if (!cli_number(cli, "from", 1, INT64_MAX, 1, &first))
        return EXIT_USAGE;
    cli_session session = { .cli = cli, .look = true };
    int code = session_open(&session);
    if (code != EXIT_DONE)
        return code;
    int64_t from = (int64_t)first;
    pawl_error err;
    pawl_code asked = print_pages(&session, &from, &err);
    if (asked == PAWL_OK && cli_flag(cli, "follow"))
        asked = follow(&session, &from, &err);
    if (cli_interrupted())
        code = 128 + cli_interrupted();
    else if (asked != PAWL_OK)
        code = cli_fail_error(cli, &err);
    session_close(&session);
    return code;
}

// clang-format off
static const cli_option options[] = {
    { "from", "N", NULL, "the step to begin with; 1" },
    { "follow", NULL, NULL, "go on with what comes, until the instance has ended" },
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
