/* breakers.c - `pawl breakers`, `pawl breaker`: which services are not called just now, and why. */
#include <stdio.h>

#include "cli/table.h"

enum { SERVICE_WIDTH = 60, REASON_WIDTH = 60 };

static pw_str number(pw_arena *arena, pw_value row, const char *member)
{
    int64_t n = 0;
    return pw_integer(pw_get_lit(row, member), &n) ? pw_arena_printf(arena, "%lld", (long long)n)
                                                   : PW_LIT("-");
}

/* "open", "forced open": who looks for the reason finds that it is a person. */
static pw_str state_of(pw_arena *arena, pw_value breaker)
{
    pw_str forced = pw_get_text(breaker, "forced");
    return forced.len ? pw_arena_printf(arena, "forced " PW_FMT, PW_ARG(forced))
                      : pw_get_text(breaker, "state");
}

static void add_breaker(cli_app *cli, table *t, pw_value breaker)
{
    pw_arena *arena = &cli->arena;
    pw_str until = pw_get_text(breaker, "openUntil"), reason = pw_get_text(breaker, "reason");
    if (!reason.len)
        reason = pw_get_text(breaker, "lastError");
    table_put(t, 0, cli_safe(arena, cli_cut(cli, pw_get_text(breaker, "service"), SERVICE_WIDTH)));
    table_put(t, 1, cli_safe(arena, state_of(arena, breaker)));
    table_put(t, 2, until.len ? cli_safe(arena, until) : PW_LIT("-"));
    table_put(t, 3, number(arena, breaker, "waiting"));
    table_put(t, 4, number(arena, breaker, "active"));
    table_put(t, 5,
              pw_is(pw_get_lit(breaker, "calls"), PW_NUMBER)
                  ? pw_arena_printf(arena, PW_FMT "/" PW_FMT,
                                    PW_ARG(number(arena, breaker, "failures")),
                                    PW_ARG(number(arena, breaker, "calls")))
                  : PW_LIT("-"));
    table_put(t, 6, reason.len ? cli_safe(arena, cli_cut(cli, reason, REASON_WIDTH)) : PW_LIT("-"));
    t->rows++;
}

static table *new_table(cli_app *cli)
{
    static const char *const heads[] = { "SERVICE", "STATE",  "UNTIL", "WAITING",
                                         "ACTIVE",  "FAILED", "REASON" };
    return table_new(&cli->arena, heads, PW_LENGTH(heads));
}

static void print_breakers(cli_app *cli, pw_value answer)
{
    pw_value list = pw_get_lit(answer, "breakers");
    table *t = new_table(cli);
    if (!pw_is(list, PW_ARRAY) || list.count == 0) {
        cli_note(cli_flag(cli, "all")
                     ? "pawl breakers: no service was called"
                     : "pawl breakers: none is open, and no call waits; --all lists all");
        return;
    }
    for (uint32_t i = 0; i < list.count && t->rows < TABLE_ROWS; i++)
        add_breaker(cli, t, pw_item(list, i));
    table_print(t);
    if (list.count >= TABLE_ROWS)
        cli_note("pawl breakers: there are more, with --json: %u", list.count);
}

static void print_breaker(cli_app *cli, pw_value breaker)
{
    table *t = new_table(cli);
    add_breaker(cli, t, breaker);
    table_print(t);
}

static int breakers(cli_app *cli)
{
    cli_request request;
    request_begin(cli, &request, "breakers");
    if (cli_flag(cli, "all"))
        request_add(&request, "all", pw_bool(true));
    return cli_ask(cli, CLI_ASK_OWNER, pw_object_end(&request), print_breakers);
}

static int breaker(cli_app *cli)
{
    static const char *const words[][2] = { { "open", "open" },
                                            { "close", "closed" },
                                            { "auto", "auto" } };
    size_t at = 0;
    while (at < PW_LENGTH(words) && strcmp(words[at][0], cli->positionals[0]) != 0)
        at++;
    if (at == PW_LENGTH(words))
        return cli_fail(cli, EXIT_USAGE, "a breaker is told to open, close or auto, not to '%s'",
                        cli->positionals[0]);
    cli_request request;
    request_begin(cli, &request, "breaker");
    request_text(&request, "service", cli->positionals[1]);
    request_text(&request, "force", words[at][1]);
    request_option(cli, &request, "reason");
    int code = request_who(cli, &request);
    return code == EXIT_DONE ? cli_ask(cli, CLI_CHANGE, pw_object_end(&request), print_breaker)
                             : code;
}

// clang-format off
static const cli_option list_options[] = {
    { "all", NULL, NULL, "also those that are closed, and that no call waits for" },
};
static const cli_option options[] = {
    { "reason", "TEXT", NULL, "why, for who looks at it later" },
    CLI_ACTOR("does it"), CLI_KEY,
};

const cli_command command_breakers = {
    .name = "breakers", .positionals = "", .least = 0, .most = 0, .has_store = true, .group = CLI_GROUP_INCIDENTS, .run = breakers,
    .options = list_options, .option_count = PW_LENGTH(list_options),
    .summary = "list the circuit breakers of services that are open, or that calls wait for",
    .text =
        "For each service: UNTIL when no call goes, calls that are WAITING and that are ACTIVE, and how many FAILED\n"
        "of those that ended in the sampling window. What waits and what was counted is in the memory of the process\n"
        "that owns the store: without one, only what is stored is shown. Only looks.",
    .examples = "pawl breakers --all --db sqlite:shop.db",
    .exits = "0 done; 2 usage; 3 store or system trouble",
};

const cli_command command_breaker = {
    .name = "breaker", .positionals = "open|close|auto SERVICE", .least = 2, .most = 2, .has_store = true, .group = CLI_GROUP_INCIDENTS, .run = breaker,
    .options = options, .option_count = PW_LENGTH(options),
    .summary = "force a circuit breaker open or closed, or let it decide itself again",
    .text =
        "open: no call goes to the service, and those that there are wait, until it is told otherwise; close: all go,\n"
        "whatever fails; auto: as it decides itself, closed at first. Stored at once, and good for every node.\n"
        "SERVICE is as `pawl breakers --all` lists it: https://api.example.com:443.",
    .examples =
        "pawl breaker open https://api.example.com:443 --reason 'they move house' --db sqlite:shop.db\n"
        "pawl breaker auto https://api.example.com:443 --db sqlite:shop.db",
    .exits = "0 done; 2 usage, or no call ever went to the service; 3 store or system trouble",
};
// clang-format on
