/* backup.c - `pawl backup`, `pawl restore`, `pawl check`: copies of a store, and whether it is whole. */
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"

/* A signal stops it: nothing is left then. */
static int on_progress(void *context, uint64_t done, uint64_t all)
{
    unsigned *last = context; /* NULL: nobody sees it */
    const unsigned percent = all > 0 ? (unsigned)(100 * done / all) : 0;
    if (last && percent != *last)
        (void)fprintf(stderr, "\r%3u %%%s", percent, done == all ? "\r     \r" : "");
    if (last)
        *last = percent;
    return cli_interrupted();
}

static void *shown(const cli_app *cli)
{
    static unsigned last = 101; /* percent; none yet */
    return !cli->json && isatty(STDERR_FILENO) ? &last : NULL;
}

static int which_store(cli_app *cli)
{
    return cli_fail(cli, EXIT_USAGE, "which store? Give --db sqlite:PATH, or set PAWL_DB in the environment");
}

/* What came of it: `line` has places for bytes and instances. */
static int finish(cli_app *cli, pawl_code code, char *answer, const pawl_error *err, const char *line, const char *name)
{
    pw_value v = { 0 };
    int64_t bytes = 0, instances = 0;
    if (code != PAWL_OK) {
        int exit = cli_fail_error(cli, err);
        return code == PAWL_LOST && cli_interrupted() ? 128 + cli_interrupted() : exit;
    }
    int exit = cli_json_text(cli, "the answer", pw_arena_str(&cli->arena, pw_str_of(answer)), &v);
    pawl_free(answer);
    if (exit != EXIT_DONE)
        return exit;
    (void)pw_integer(pw_get_lit(v, "bytes"), &bytes);
    (void)pw_integer(pw_get_lit(v, "instances"), &instances);
    if (cli->json) {
        out_json(v, PW_JSON_COMPACT);
        return EXIT_DONE;
    }
    out_text(line);
    out_safe(pw_str_of(name));
    out_printf(": %lld instance%s, %lld bytes\n", (long long)instances, instances == 1 ? "" : "s", (long long)bytes);
    return EXIT_DONE;
}

static int backup(cli_app *cli)
{
    char *answer = NULL;
    pawl_error err;
    if (!cli->db)
        return which_store(cli);
    pawl_code code = pawl_backup(cli->db, cli->positionals[0], on_progress, shown(cli), &answer, &err);
    return finish(cli, code, answer, &err, "backed up into ", cli->positionals[0]);
}

static int restore(cli_app *cli)
{
    char *answer = NULL;
    pawl_error err;
    if (!cli->db)
        return which_store(cli);
    pawl_code code =
        pawl_restore(cli->positionals[0], cli->db, cli_flag(cli, "replace"), on_progress, shown(cli), &answer, &err);
    return finish(cli, code, answer, &err, "restored ", cli->db);
}

static int check(cli_app *cli)
{
    char *answer = NULL;
    pawl_error err;
    if (!cli->db)
        return which_store(cli);
    cli_hear_signals(0); /* it only reads: a signal ends it at once */
    pawl_code code = pawl_check(cli->db, &answer, &err);
    return finish(cli, code, answer, &err, "nothing is wrong with ", cli->db);
}

// clang-format off
static const cli_option restore_options[] = {
    { "replace", NULL, NULL, "let it take the place of a store that is there, which is gone then" },
};

const cli_command command_backup = {
    .name = "backup", .positionals = "FILE", .least = 1, .most = 1, .has_store = true, .local = true, .group = CLI_GROUP_SERVER, .run = backup,
    .summary = "copy a store into a file while it works",
    .text = "The file holds the store as of one commit, whoever owns it and whatever is committed meanwhile. It is checked and\n"
        "on the disk before it has its name; FILE must not be there yet. `pawl restore` makes a store of it; `pawl ls --db FILE`\n"
        "and what else only looks reads it as it is.",
    .examples = "pawl backup --db sqlite:shop.db /backup/shop-2026-11-23.db",
    .exits = "0 done; 2 usage; 3 store or system trouble; 130, 143 stopped by a signal: nothing is left",
};

const cli_command command_restore = {
    .name = "restore", .positionals = "FILE", .least = 1, .most = 1, .has_store = true, .local = true, .group = CLI_GROUP_SERVER, .run = restore,
    .options = restore_options, .option_count = PW_LENGTH(restore_options),
    .summary = "make a store of a backup",
    .text = "Nobody may own the store meanwhile. Until the last moment it is the old one, then the new one. Calls that were\n"
        "in flight when the backup was made are sent again under the keys that they had, or are of unknown outcome, where their\n"
        "task says so. What is asked for from then on has new keys: what the old store did after the backup is done again, if\n"
        "the instances come to it. Tokens of jobs that were handed out are worth nothing any more.",
    .examples = "pawl restore /backup/shop-2026-11-23.db --db sqlite:shop.db\n"
        "pawl restore /backup/shop-2026-11-23.db --db sqlite:shop.db --replace",
    .exits = "0 done; 2 usage; 3 store or system trouble; 130, 143 stopped by a signal: nothing has changed",
};

const cli_command command_check = {
    .name = "check", .positionals = "", .least = 0, .most = 0, .has_store = true, .local = true, .group = CLI_GROUP_SERVER, .run = check,
    .summary = "look whether a store, or a backup, is whole",
    .text = "Reads all of it, while its owner goes on: pages, indexes, which row belongs to which, that each log leads to its\n"
        "instance without a gap, that stored values are what their names say. It says the first thing that does not hold.",
    .examples = "pawl check --db sqlite:shop.db\npawl check --db /backup/shop-2026-11-23.db",
    .exits = "0 it is whole; 2 usage; 3 it is damaged, or cannot be read; 130, 143 stopped by a signal",
};
// clang-format on
