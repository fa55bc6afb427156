/* main.c - `pawl`: finds the command, reads its options, runs it, and turns what came of it into an
 * exit code. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/settings.h"

const cli_command *const cli_commands[] = {
    &command_run, &command_start, &command_ls, &command_show, &command_why, &command_log,
    &command_bookmarks, &command_resume, &command_cancel, &command_suspend, &command_continue,
    &command_delete, &command_incidents, &command_incident, &command_retry, &command_skip,
    &command_goto, &command_edit, &command_fail, &command_compensate, &command_rewind,
    &command_fork, &command_effects, &command_bulk, &command_calls, &command_breakers,
    &command_breaker, &command_deadletter, &command_sinks, &command_tasks, &command_complete,
    &command_claim, &command_release, &command_delegate, &command_comment, &command_send,
    &command_deploy, &command_definitions, &command_definition, &command_deprecate,
    &command_archive, &command_schedules, &command_worker, &command_jobs, &command_serve,
    &command_health, &command_doctor, &command_metrics, &command_log_level, &command_config,
    &command_token, &command_cleanup, &command_migrate, &command_backup, &command_restore,
    &command_check, &command_validate, &command_graph, &command_schema, &command_eval,
    &command_completion, &command_help, &command_version,
};
const uint32_t cli_command_count = PW_LENGTH(cli_commands);

/* A closed standard stream would be given to the first file we open: the store. */
static bool standard_streams_open(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        if (open("/dev/null", fd == 0 ? O_RDONLY : O_RDWR) != fd)
            return false;
    }
    return true;
}

static const cli_command *find_command(const cli_app *cli, const char *name)
{
    const char *names[PW_LENGTH(cli_commands)];
    for (uint32_t i = 0; i < cli_command_count; i++) {
        names[i] = cli_commands[i]->name;
        if (strcmp(names[i], name) == 0)
            return cli_commands[i];
    }
    const char *near = pw_near(name, names, cli_command_count);
    if (near)
        (void)cli_fail(cli, EXIT_USAGE, "no command '%s': did you mean '%s'?", name, near);
    else
        (void)cli_fail(cli, EXIT_USAGE, "no command '%s': `pawl help` lists them", name);
    return NULL;
}

/* Of commands that read the settings anyway. */
static int find_store_in_settings(cli_app *cli)
{
    const pawl_config *config;
    int code = cli_config(cli, &config);
    if (code == EXIT_DONE && pawl_config_string(config, "Store:Uri")[0] != '\0')
        cli->db = pawl_config_string(config, "Store:Uri");
    return code;
}

/* Where the store is: an option goes before the environment, and a server before a store; else the settings say it. */
static int find_store(cli_app *cli)
{
    cli->db = cli_value(cli, "db");
    cli->server = cli_value(cli, "server");
    if (cli->db && cli->server)
        return cli_fail(cli, EXIT_USAGE,
                        "--db and --server contradict each other: give the store, or its server");
    if (cli->db || cli->server || !cli->command->has_store)
        return EXIT_DONE;
    const char *server = getenv("PAWL_SERVER"), *db = getenv("PAWL_DB");
    cli->store_from_environment = true;
    if (!cli->command->local && server && server[0] != '\0')
        cli->server = server;
    else if (db && db[0] != '\0')
        cli->db = db;
    if (cli->db || cli->server || cli->command == &command_serve || cli->command == &command_config)
        return EXIT_DONE;
    return find_store_in_settings(cli);
}

static int run_command(cli_app *cli, int argc, char **argv)
{
    int at = cli_parse_before(cli, argc, argv);
    if (at == 0)
        return EXIT_USAGE;
    if (cli->command == &command_version)
        return cli->command->run(cli);
    if (at >= argc) {
        if (cli->help) {
            help_all();
            return EXIT_DONE;
        }
        return cli_fail(cli, EXIT_USAGE, "no command is given: `pawl help` lists them");
    }
    cli->command = find_command(cli, argv[at]);
    if (!cli->command || !cli_parse(cli, argc - at - 1, argv + at + 1))
        return EXIT_USAGE;
    if (cli->help) {
        help_command(cli->command);
        return EXIT_DONE;
    }
    int code = find_store(cli);
    return code == EXIT_DONE ? cli->command->run(cli) : code;
}

int main(int argc, char **argv)
{
    static cli_app cli;
    static jmp_buf out_of_memory;
    if (!standard_streams_open())
        return EXIT_TROUBLE;
    (void)signal(SIGPIPE, SIG_IGN); /* a closed pipe is a failed write */
    cli_catch_signals();
    pw_arena_init(&cli.arena, 0);
    if (setjmp(out_of_memory)) {
        /* Threads of an open store may be running: leave as after a crash, which is always safe. */
        (void)cli_fail(&cli, EXIT_TROUBLE, "out of memory");
        _exit(EXIT_TROUBLE);
    }
    (void)pw_arena_guard(&cli.arena, &out_of_memory);
    int code = out_end(run_command(&cli, argc, argv));
    pawl_config_free(cli.config);
    pw_arena_done(&cli.arena);
    return code;
}
