/* ls.c - `pawl ls`: the instances of a store, newest first. */
#include <stdio.h>

#include "cli/table.h"

enum { KEY_WIDTH = 40 };

static void print_page(cli_app *cli, pw_value page)
{
    pw_arena *arena = &cli->arena;
    pw_value instances = pw_get_lit(page, "instances");
    table *t = PW_NEW(arena, table);
    table_put(t, 0, PW_LIT("INSTANCE"));
    table_put(t, 1, PW_LIT("STATUS"));
    table_put(t, 2, PW_LIT("WORKFLOW"));
    table_put(t, 3, PW_LIT("UPDATED"));
    table_put(t, 4, PW_LIT("KEY"));
    t->rows++;
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
        if (key.len > KEY_WIDTH) {
            size_t at = 0, end = 0;
            while (at <= KEY_WIDTH - 3) {
                end = at;
                (void)pw_utf8_next(key, &at);
            }
            key = pw_arena_printf(arena, "%.*s...", (int)end, key.ptr);
        }
        table_put(t, 4, cli_safe(arena, key));
    }
    if (instances.count == 0)
        cli_note("pawl ls: no instances");
    else
        table_print(t);
    pw_str next = pw_get_text(page, "next");
    if (next.len > 0)
        cli_note("pawl ls: there are more: pawl ls --after " PW_FMT PW_FMT,
                 PW_ARG(cli_quoted(arena, next)), PW_ARG(cli_db_words(cli)));
}

static int ls(cli_app *cli)
{
    uint64_t limit = 0;
    if (!cli_number(cli, "limit", 1, 1000, 100, &limit))
        return EXIT_USAGE;
    pawl *p = NULL;
    int code = cli_open_reader(cli, &p);
    if (code != EXIT_DONE)
        return code;
    pawl_list_options options = { .struct_size = sizeof options,
                                  .status = cli_value(cli, "status"),
                                  .name = cli_value(cli, "name"),
                                  .parent = cli_value(cli, "parent"),
                                  .after = cli_value(cli, "after"),
                                  .limit = (uint32_t)limit,
                                  .schedules = cli_flag(cli, "schedules") };
    char *text = NULL;
    pawl_error err;
    pw_value page;
    pawl_code called = pawl_list(p, &options, &text, &err);
    if (called == PAWL_OK)
        called = pw_json_parse(&page, pw_str_of(text), NULL, &cli->arena, &err);
    pawl_free(text);
    pawl_close(p);
    if (called != PAWL_OK)
        return cli_fail_error(cli, &err);
    if (cli->json)
        out_json(page, PW_JSON_COMPACT);
    else
        print_page(cli, page);
    return EXIT_DONE;
}

// clang-format off
static const cli_option options[] = {
    { "status", "STATUS", NULL, "only these: pending, running, waiting, suspended, compensating, completed, faulted, cancelled, compensated" },
    { "name", "NAME", NULL, "only of this definition: name or namespace/name" },
    { "parent", "ID", NULL, "only the children of this instance" },
    { "schedules", NULL, NULL, "schedules, which are instances too, instead of what they start" },
    { "limit", "N", NULL, "rows of one page; 100" },
    { "after", "CURSOR", NULL, "the page behind; the page before names it" },
};

const cli_command command_ls = {
    .name = "ls", .positionals = "", .least = 0, .most = 0, .has_store = true, .run = ls,
    .options = options, .option_count = PW_LENGTH(options),
    .summary = "list instances, newest first",
    .text = "Only looks: it works beside the process that owns the store.",
    .examples =
        "pawl ls --db sqlite:shop.db --status waiting\n"
        "pawl ls --db sqlite:shop.db --json | jq -r '.instances[].id'",
    .exits = "0 done; 2 usage; 3 store or system trouble",
};
// clang-format on
