/* schedules.c - `pawl schedules`: what starts by itself, and when. */
#include "cli/table.h"

enum { EXPRESSION_WIDTH = 60 };

/* "cron 0 9 * * * (Europe/Berlin)" */
static pw_str when(pw_arena *arena, pw_value schedule)
{
    pw_str expression = pw_get_text(schedule, "expression");
    pw_str zone = pw_get_text(schedule, "timeZone");
    bool cut = expression.len > EXPRESSION_WIDTH;
    if (cut) {
        size_t at = 0, end = 0;
        while (at <= EXPRESSION_WIDTH - 3) {
            end = at;
            (void)pw_utf8_next(expression, &at);
        }
        expression.len = end;
    }
    return pw_arena_printf(arena, PW_FMT " " PW_FMT "%s%s" PW_FMT "%s",
                           PW_ARG(pw_get_text(schedule, "kind")), PW_ARG(expression),
                           cut ? "..." : "", zone.len ? " (" : "", PW_ARG(zone),
                           zone.len ? ")" : "");
}

/* When it is due, or what it waits for. */
static pw_str next_of(pw_arena *arena, pw_value schedule)
{
    pw_str runs = pw_get_text(schedule, "runs"), next = pw_get_text(schedule, "next");
    if (pw_get_text(schedule, "trouble").len)
        return PW_LIT("cannot be read");
    if (next.len)
        return next;
    if (runs.len)
        return pw_arena_printf(arena, "behind " PW_FMT, PW_ARG(runs));
    return pw_str_is(pw_get_text(schedule, "kind"), "on") ? PW_LIT("a message") : PW_LIT("never");
}

static void print_page(cli_app *cli, pw_value page)
{
    static const char *const heads[] = { "DEFINITION", "VERSION", "WHEN",    "STATUS",
                                         "NEXT",       "LAST",    "INSTANCE" };
    pw_arena *arena = &cli->arena;
    pw_value list = pw_get_lit(page, "schedules");
    table *t = table_new(arena, heads, PW_LENGTH(heads));
    for (uint32_t i = 0; i < list.count && t->rows < TABLE_ROWS; i++, t->rows++) {
        pw_value schedule = pw_item(list, i);
        pw_str last = pw_get_text(schedule, "last");
        table_put(t, 0,
                  cli_safe(arena, pw_arena_printf(arena, PW_FMT "/" PW_FMT,
                                                  PW_ARG(pw_get_text(schedule, "namespace")),
                                                  PW_ARG(pw_get_text(schedule, "name")))));
        table_put(t, 1, cli_safe(arena, pw_get_text(schedule, "version")));
        table_put(t, 2, cli_safe(arena, when(arena, schedule)));
        table_put(t, 3, cli_safe(arena, pw_get_text(schedule, "status")));
        table_put(t, 4, cli_safe(arena, next_of(arena, schedule)));
        table_put(t, 5, last.len ? cli_safe(arena, last) : PW_LIT("-"));
        table_put(t, 6, cli_safe(arena, pw_get_text(schedule, "instance")));
    }
    if (list.count == 0)
        cli_note("pawl schedules: none");
    else
        table_print(t);
    cli_say_more(cli, page);
}

static int schedules(cli_app *cli)
{
    uint64_t limit = 0;
    if (!cli_number(cli, "limit", 1, 1000, 100, &limit))
        return EXIT_USAGE;
    cli_request request;
    request_begin(cli, &request, "schedules");
    request_option(cli, &request, "name");
    request_option(cli, &request, "after");
    request_add(&request, "limit", pw_int((int64_t)limit));
    return cli_ask(cli, CLI_LOOK, pw_object_end(&request), print_page);
}

// clang-format off
static const cli_option options[] = {
    { "name", "NAME", NULL, "only of this definition: name or namespace/name" },
    { "limit", "N", NULL, "rows of one page; 100" },
    { "after", "CURSOR", NULL, "the page behind; the page before names it" },
};

const cli_command command_schedules = {
    .name = "schedules", .positionals = "", .least = 0, .most = 0, .has_store = true, .group = CLI_GROUP_DEFINITIONS, .run = schedules,
    .options = options, .option_count = PW_LENGTH(options),
    .summary = "list what starts by itself, and when it is due",
    .text =
        "The newest published version of each definition with a 'schedule' has one: it is started by `pawl\n"
        "deploy` and works while some process owns the store. INSTANCE is its own: `pawl suspend` pauses it,\n"
        "`pawl continue` lets it go on, `pawl cancel` ends it until another version is published, and `pawl log`\n"
        "tells what it started. Only looks: it works beside the process that owns the store.",
    .examples =
        "pawl schedules --db sqlite:shop.db\n"
        "pawl schedules --db sqlite:shop.db --json | jq '.schedules[].next'",
    .exits = "0 done; 2 usage; 3 store or system trouble",
};
// clang-format on
