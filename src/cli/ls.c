/* ls.c - `pawl ls`: the instances of a store, newest first. */
#include <stdio.h>

#include "cli/table.h"

enum { KEY_WIDTH = 40 };

static void print_page(cli_app *cli, pw_value page)
{
    static const char *const heads[] = { "INSTANCE", "STATUS", "WORKFLOW", "UPDATED", "KEY" };
    pw_arena *arena = &cli->arena;
    pw_value instances = pw_get_lit(page, "instances");
    table *t = table_new(arena, heads, PW_LENGTH(heads));
    for (uint32_t i = 0; i < instances.count && t->rows < TABLE_ROWS; i++, t->rows++) {
        pw_value instance = pw_item(instances, i);
        table_put(t, 0, cli_safe(arena, pw_get_text(instance, "id")));
        table_put(t, 1, cli_safe(arena, pw_get_text(instance, "status")));
        table_put(t, 2,
                  cli_safe(arena, pw_arena_printf(arena, PW_FMT "/" PW_FMT " " PW_FMT,
                                                  PW_ARG(pw_get_text(instance, "namespace")),
                                                  PW_ARG(pw_get_text(instance, "name")),
                                                  PW_ARG(pw_get_text(instance, "version")))));
        table_put(t, 3, cli_safe(arena, pw_get_text(instance, "updatedAt")));
        pw_str key = pw_get_text(instance, "key");
        table_put(t, 4, cli_safe(arena, cli_cut(cli, key, KEY_WIDTH)));
    }
    if (instances.count == 0)
        cli_note("pawl ls: no instances");
    else
        table_print(t);
    cli_say_more(cli, page);
}

/* The filters of `pawl ls`. Not EXIT_DONE: a message was printed. */
static int filters(cli_app *cli, cli_request *request)
{
    request_option(cli, request, "name");
    request_option(cli, request, "parent");
    request_option(cli, request, "key");
    request_option(cli, request, "correlation");
    if (cli_flag(cli, "schedules"))
        request_add(request, "schedules", pw_bool(true));
    request_texts(cli, request, "namespaces", "namespace");
    return request_pairs(cli, request, "labels", "label");
}

static void print_count(cli_app *cli, pw_value counts)
{
    pw_value statuses = pw_get_lit(counts, "statuses");
    const pw_member *members = pw_members(statuses);
    int64_t n = 0;
    for (uint32_t i = 0; pw_is(statuses, PW_OBJECT) && i < statuses.count; i++) {
        if (pw_integer(members[i].value, &n) && n > 0)
            print_line_out(
                pw_arena_printf(&cli->arena, PW_FMT " %lld", PW_ARG(members[i].key), (long long)n));
    }
    (void)pw_integer(pw_get_lit(counts, "total"), &n);
    out_printf("total %lld\n", (long long)n);
}

static int count(cli_app *cli)
{
    static const char *const paging[] = { "status", "limit", "after" };
    for (size_t i = 0; i < PW_LENGTH(paging); i++) {
        if (cli_value(cli, paging[i]))
            return cli_fail(cli, EXIT_USAGE,
                            "--count and --%s contradict each other: it counts all, by status",
                            paging[i]);
    }
    cli_request request;
    request_begin(cli, &request, "count");
    int code = filters(cli, &request);
    return code == EXIT_DONE ? cli_ask(cli, CLI_LOOK, pw_object_end(&request), print_count) : code;
}

static int ls(cli_app *cli)
{
    if (cli_flag(cli, "count"))
        return count(cli);
    uint64_t limit = 0;
    if (!cli_number(cli, "limit", 1, 1000, 100, &limit))
        return EXIT_USAGE;
    cli_request request;
    request_begin(cli, &request, "list");
    request_option(cli, &request, "status");
    request_option(cli, &request, "after");
    request_add(&request, "limit", pw_int((int64_t)limit));
    int code = filters(cli, &request);
    return code == EXIT_DONE ? cli_ask(cli, CLI_LOOK, pw_object_end(&request), print_page) : code;
}

// clang-format off
static const cli_option options[] = {
    { "status", "STATUS", NULL, "only these: pending, running, waiting, suspended, compensating, completed, faulted, cancelled, compensated",
      "pending running waiting suspended compensating completed faulted cancelled compensated" },
    { "name", "NAME", NULL, "only of this definition: name or namespace/name" },
    { "namespace", "NAMESPACE", NULL, "only of definitions in it; may be repeated", .many = true },
    { "label", "NAME=VALUE", NULL, "only with this label; may be repeated: with all of them", .many = true },
    { "key", "KEY", NULL, "only with this business key" },
    { "correlation", "ID", NULL, "only with this correlation id" },
    { "parent", "ID", NULL, "only the children of this instance" },
    { "schedules", NULL, NULL, "schedules, which are instances too, instead of what they start" },
    { "count", NULL, NULL, "how many there are of each status, instead of a list" },
    { "limit", "N", NULL, "rows of one page; 100" },
    { "after", "CURSOR", NULL, "the page behind; the page before names it" },
};

const cli_command command_ls = {
    .name = "ls", .positionals = "", .least = 0, .most = 0, .has_store = true, .group = CLI_GROUP_INSTANCES, .run = ls,
    .options = options, .option_count = PW_LENGTH(options),
    .summary = "list instances, newest first",
    .text = "Only looks: it works beside the process that owns the store.",
    .examples =
        "pawl ls --db sqlite:shop.db --status waiting\n"
        "pawl ls --db sqlite:shop.db --json | jq -r '.instances[].id'",
    .exits = "0 done; 2 usage; 3 store or system trouble",
};
// clang-format on
