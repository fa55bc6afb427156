/* incidents.c - `pawl incidents`, `incident`, `calls`: what has gone wrong, and what was said to
 * whom. What is done about it is in act.c. */
#include <stdio.h>

#include "cli/table.h"

enum { TASK_WIDTH = 40, ENDPOINT_WIDTH = 60 };

static pw_str cell(cli_app *cli, pw_value row, const char *member, size_t width)
{
    pw_str text = cli_safe(&cli->arena, cli_cut(cli, pw_get_text(row, member), width));
    return text.len ? text : PW_LIT("-");
}

static pw_str number(pw_arena *arena, pw_value row, const char *member)
{
    int64_t n = 0;
    return pw_integer(pw_get_lit(row, member), &n) ? pw_arena_printf(arena, "%lld", (long long)n)
                                                   : PW_LIT("-");
}

/* ---- the list */

static pw_str state_of(pw_value incident)
{
    pw_str resolution = pw_get_text(incident, "resolution");
    return pw_truthy(pw_get_lit(incident, "open")) ? PW_LIT("open") : resolution;
}

static void print_page(cli_app *cli, pw_value page)
{
    static const char *const heads[] = { "INCIDENT", "STATE", "WORKFLOW", "TASK",
                                         "CLASS",    "TRIED", "SINCE" };
    pw_arena *arena = &cli->arena;
    pw_value list = pw_get_lit(page, "incidents");
    table *t = table_new(arena, heads, PW_LENGTH(heads));
    for (uint32_t i = 0; i < list.count && t->rows < TABLE_ROWS; i++, t->rows++) {
        pw_value incident = pw_item(list, i);
        pw_str state = cli_safe(arena, state_of(incident));
        table_put(t, 0, cell(cli, incident, "id", SIZE_MAX));
        table_put(t, 1, state.len ? state : PW_LIT("-"));
        table_put(t, 2,
                  cli_safe(arena, pw_arena_printf(arena, PW_FMT "/" PW_FMT,
                                                  PW_ARG(pw_get_text(incident, "namespace")),
                                                  PW_ARG(pw_get_text(incident, "name")))));
        table_put(t, 3, cell(cli, incident, "task", TASK_WIDTH));
        table_put(t, 4, cell(cli, incident, "class", SIZE_MAX));
        table_put(t, 5, number(arena, incident, "attempts"));
        table_put(t, 6, cell(cli, incident, "createdAt", SIZE_MAX));
    }
    if (list.count == 0)
        cli_note("pawl incidents: none");
    else
        table_print(t);
    cli_say_more(cli, page);
}

static int incidents(cli_app *cli)
{
    uint64_t limit = 0;
    if (!cli_number(cli, "limit", 1, 1000, 100, &limit))
        return EXIT_USAGE;
    cli_request request;
    request_begin(cli, &request, "incidents");
    if (cli_flag(cli, "all"))
        request_add(&request, "all", pw_bool(true));
    request_option(cli, &request, "instance");
    request_option(cli, &request, "name");
    request_texts(cli, &request, "namespaces", "namespace");
    request_option(cli, &request, "type");
    request_option(cli, &request, "class");
    request_option(cli, &request, "task");
    request_option(cli, &request, "after");
    request_add(&request, "limit", pw_int((int64_t)limit));
    return cli_ask(cli, CLI_LOOK, pw_object_end(&request), print_page);
}

/* ---- calls */

static void print_call_table(cli_app *cli, pw_value list)
{
    static const char *const heads[] = {
        "TASK", "VISIT", "STATE", "SENT", "STATUS", "CALL", "SINCE"
    };
    pw_arena *arena = &cli->arena;
    table *t = table_new(arena, heads, PW_LENGTH(heads));
    for (uint32_t i = 0; i < list.count && t->rows < TABLE_ROWS; i++, t->rows++) {
        pw_value call = pw_item(list, i);
        pw_str what = pw_arena_printf(arena, PW_FMT " " PW_FMT, PW_ARG(pw_get_text(call, "method")),
                                      PW_ARG(pw_get_text(call, "endpoint")));
        table_put(t, 0, cell(cli, call, "task", TASK_WIDTH));
        table_put(t, 1, number(arena, call, "visit"));
        table_put(t, 2, cell(cli, call, "state", SIZE_MAX));
        table_put(t, 3, number(arena, call, "attempts"));
        table_put(t, 4, number(arena, call, "status"));
        table_put(t, 5, cli_safe(arena, cli_cut(cli, what, ENDPOINT_WIDTH)));
        table_put(t, 6, cell(cli, call, "createdAt", SIZE_MAX));
    }
    table_print(t);
}

static void print_calls(cli_app *cli, pw_value answer)
{
    pw_value list = pw_get_lit(answer, "calls");
    if (!pw_is(list, PW_ARRAY) || list.count == 0)
        cli_note("pawl calls: none");
    else
        print_call_table(cli, list);
}

static int calls(cli_app *cli)
{
    cli_request request;
    request_begin(cli, &request, "calls");
    request_text(&request, "id", cli->positionals[0]);
    return cli_ask(cli, CLI_ASK_OWNER, pw_object_end(&request), print_calls);
}

/* ---- one of them */

static void print_end(cli_app *cli, pw_value incident)
{
    if (pw_truthy(pw_get_lit(incident, "open")))
        return;
    print_field(cli, "over",
                pw_arena_printf(&cli->arena, PW_FMT " by " PW_FMT " at " PW_FMT,
                                PW_ARG(pw_get_text(incident, "resolution")),
                                PW_ARG(pw_get_text(incident, "resolvedBy")),
                                PW_ARG(pw_get_text(incident, "resolvedAt"))));
}

static void print_incident(cli_app *cli, pw_value incident)
{
    pw_arena *arena = &cli->arena;
    pw_value list = pw_get_lit(incident, "calls");
    print_field(cli, "incident", pw_get_text(incident, "id"));
    print_field(cli, "workflow",
                pw_arena_printf(arena, PW_FMT "/" PW_FMT " " PW_FMT,
                                PW_ARG(pw_get_text(incident, "namespace")),
                                PW_ARG(pw_get_text(incident, "name")),
                                PW_ARG(pw_get_text(incident, "version"))));
    print_field(cli, "status", pw_get_text(incident, "status"));
    print_field(cli, "task", pw_get_text(incident, "task"));
    print_field(cli, "type", pw_get_text(incident, "type"));
    print_field(cli, "class", pw_get_text(incident, "class"));
    print_field(cli, "tried", number(arena, incident, "attempts"));
    print_field(cli, "since", pw_get_text(incident, "createdAt"));
    print_end(cli, incident);
    print_field(cli, "advice", pw_get_text(incident, "recommendedAction"));
    if (pw_truthy(pw_get_lit(incident, "open"))) {
        out_text("\nwhat can be done\n");
        int64_t undo = 0;
        (void)pw_integer(pw_get_lit(incident, "undo"), &undo);
        print_ways(cli, incident, undo, print_indented);
    }
    print_section("error", pw_get_lit(incident, "error"));
    print_section("breaker", pw_get_lit(incident, "breaker"));
    if (pw_is(list, PW_ARRAY) && list.count > 0) {
        out_text("\ncalls\n");
        print_call_table(cli, list);
    }
    print_section("context", pw_get_lit(pw_get_lit(incident, "data"), "context"));
    print_section("input of the task", pw_get_lit(incident, "input"));
    print_section("definition of the task", pw_get_lit(incident, "definition"));
}

static int incident(cli_app *cli)
{
    cli_request request;
    request_begin(cli, &request, "incident");
    request_text(&request, "id", cli->positionals[0]);
    return cli_ask(cli, CLI_ASK_OWNER, pw_object_end(&request), print_incident);
}

// clang-format off
static const cli_option options[] = {
    { "all", NULL, NULL, "also those that are over, with what became of them" },
    { "name", "NAME", NULL, "only of this definition: name or namespace/name" },
    { "namespace", "NAMESPACE", NULL, "only of definitions in it; may be repeated", .many = true },
    { "instance", "ID", NULL, "only of this instance" },
    { "task", "POINTER", NULL, "only of this task: /do/0/charge" },
    { "type", "TYPE", NULL, "only these: startup-fault, activity-fault, external-call-fault, resume-fault",
      "startup-fault activity-fault external-call-fault resume-fault" },
    { "class", "CLASS", NULL, "only errors of this class: timeout, connection, server-error ..." },
    { "limit", "N", NULL, "rows of one page; 100" },
    { "after", "CURSOR", NULL, "the page behind; the page before names it" },
};

const cli_command command_incidents = {
    .name = "incidents", .positionals = "", .least = 0, .most = 0, .has_store = true, .group = CLI_GROUP_INCIDENTS, .run = incidents,
    .options = options, .option_count = PW_LENGTH(options),
    .summary = "list what has gone wrong and waits for a person, newest first",
    .text =
        "An incident is an error that nothing in the definition has caught, and that no further attempt is made for.\n"
        "Its instance stays as it was, faulted or suspended, until `pawl retry`, `pawl fail` or `pawl cancel`. TRIED\n"
        "is how many attempts were made. Only looks: it works beside the process that owns the store.",
    .examples =
        "pawl incidents --db sqlite:shop.db\n"
        "pawl incidents --class connection --json | jq -r '.incidents[].instance' | xargs -n 1 pawl retry",
    .exits = "0 done; 2 usage; 3 store or system trouble",
};

const cli_command command_incident = {
    .name = "incident", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INCIDENTS, .run = incident,
    .summary = "show an incident: the error, what was tried, what to do next",
    .text =
        "ID is an incident's, or an instance's: the newest of that is shown then. With the advice come the error, the\n"
        "task with its input, its calls, and the circuit breaker of its service. Only looks.",
    .examples = "pawl incident 01kaq0f3s7-4 --db sqlite:shop.db",
    .exits = "0 done; 2 no such incident; 3 store or system trouble",
};

const cli_command command_calls = {
    .name = "calls", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INCIDENTS, .run = calls,
    .summary = "list the calls of an instance to services, with what came of them",
    .text =
        "Each has a row since before it was sent. SENT is how often: every time with the same key. STATE is pending,\n"
        "in-progress, completed, failed, timed-out; abandoned: nobody waits for the answer any more; unknown: nobody\n"
        "knows whether it had its effect. Only looks.",
    .examples = "pawl calls 01kaq0f3s7 --json --db sqlite:shop.db | jq -r '.calls[].idempotencyKey'",
    .exits = "0 done; 2 no such instance; 3 store or system trouble",
};
// clang-format on
