/* jobs.c - `pawl jobs`: what waits for workers, and what they are at. */
#include <stdio.h>

#include "cli/table.h"

static pw_str number(pw_arena *arena, pw_value row, const char *member)
{
    int64_t n = 0;
    return pw_integer(pw_get_lit(row, member), &n) ? pw_arena_printf(arena, "%lld", (long long)n)
                                                   : PW_LIT("-");
}

static void print_functions(cli_app *cli, pw_value list)
{
    static const char *const heads[] = { "FUNCTION", "READY", "LEASED", "POLLS", "AT MOST", "RATE" };
    pw_arena *arena = &cli->arena;
    table *t = table_new(arena, heads, PW_LENGTH(heads));
    for (uint32_t i = 0; i < list.count && t->rows < TABLE_ROWS; i++, t->rows++) {
        pw_value f = pw_item(list, i);
        pw_value rate = pw_get_lit(f, "rate");
        table_put(t, 0, cli_safe(arena, pw_get_text(f, "function")));
        table_put(t, 1, number(arena, f, "ready"));
        table_put(t, 2, number(arena, f, "leased"));
        table_put(t, 3, number(arena, f, "polls"));
        table_put(t, 4, number(arena, f, "maxConcurrent"));
        table_put(t, 5,
                  pw_is(rate, PW_NUMBER) ? pw_json_text(arena, rate, PW_JSON_COMPACT)
                                         : PW_LIT("-"));
    }
    table_print(t);
}

static void print_jobs(cli_app *cli, pw_value page)
{
    static const char *const heads[] = { "FUNCTION", "INSTANCE", "TASK", "ATTEMPT",
                                         "STATE",    "WORKER",   "SINCE" };
    pw_arena *arena = &cli->arena;
    pw_value functions = pw_get_lit(page, "functions"), list = pw_get_lit(page, "jobs");
    if (functions.count == 0 && list.count == 0) {
        cli_note("pawl jobs: none, and nobody asks for any");
        return;
    }
    if (functions.count > 0)
        print_functions(cli, functions);
    if (functions.count > 0 && list.count > 0)
        out_text("\n");
    table *t = table_new(arena, heads, PW_LENGTH(heads));
    for (uint32_t i = 0; i < list.count && t->rows < TABLE_ROWS; i++, t->rows++) {
        pw_value job = pw_item(list, i);
        pw_str worker = pw_get_text(job, "worker");
        table_put(t, 0, cli_safe(arena, pw_get_text(job, "function")));
        table_put(t, 1, cli_safe(arena, pw_get_text(job, "instance")));
        table_put(t, 2, cli_safe(arena, pw_get_text(job, "task")));
        table_put(t, 3, number(arena, job, "attempt"));
        table_put(t, 4, cli_safe(arena, pw_get_text(job, "state")));
        table_put(t, 5, worker.len ? cli_safe(arena, worker) : PW_LIT("-"));
        table_put(t, 6, cli_safe(arena, pw_get_text(job, "since")));
    }
    if (list.count > 0)
        table_print(t);
    cli_say_more(cli, page);
}

static int jobs(cli_app *cli)
{
    uint64_t limit = 0;
    if (!cli_number(cli, "limit", 1, 1000, 100, &limit))
        return EXIT_USAGE;
    cli_request request;
    request_begin(cli, &request, "jobs");
    request_option(cli, &request, "function");
    request_option(cli, &request, "instance");
    request_texts(cli, &request, "namespaces", "namespace");
    request_option(cli, &request, "after");
    request_add(&request, "limit", pw_int((int64_t)limit));
    cli_session session = { .cli = cli };
    int code = session_open(&session);
    if (code != EXIT_DONE)
        return code;
    session_drain(&session); /* if it is ours: what waits is found first */
    pw_value answer;
    pawl_error err;
    if (session_call(&session, pw_object_end(&request), &answer, &err) != PAWL_OK)
        code = cli_fail_error(cli, &err);
    else if (cli->json)
        out_json(answer, PW_JSON_COMPACT);
    else
        print_jobs(cli, answer);
    session_close(&session);
    return code;
}

// clang-format off
static const cli_option options[] = {
    { "function", "NAME", NULL, "only jobs of this function" },
    { "instance", "ID", NULL, "only jobs of this instance" },
    { "namespace", "NAMESPACE", NULL, "only of definitions in it; may be repeated", .many = true },
    { "limit", "N", NULL, "rows of one page; 100" },
    { "after", "CURSOR", NULL, "the page behind; the page before names it" },
};

const cli_command command_jobs = {
    .name = "jobs", .positionals = "", .least = 0, .most = 0, .has_store = true, .group = CLI_GROUP_WORKERS, .run = jobs,
    .options = options, .option_count = PW_LENGTH(options),
    .summary = "list jobs that wait for workers, and those that workers are at",
    .text =
        "For each function: jobs that are ready, that a worker has; polls that wait for one; limits. For each job its\n"
        "state: ready, leased, or unsure, after the owner was started again. A job that waits for its next attempt is\n"
        "none yet: `pawl show` says when it is due. They are in the owner's memory: without one, this command owns the store for a moment.",
    .examples = "pawl jobs --function charge --db sqlite:shop.db",
    .exits = "0 done; 2 usage; 3 store or system trouble",
};
// clang-format on
