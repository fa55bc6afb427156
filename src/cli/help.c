/* help.c - `pawl help`, `pawl version`: the manual in short, made of the commands' own tables. */
#include <stdio.h>

#include "cli/cli.h"

const char help_exit_table[] =
    "  0  completed, or done\n"
    "  1  faulted, cancelled or compensated; an expression failed\n"
    "  2  bad usage, definition or input\n"
    "  3  store or system trouble\n"
    "  4  waiting or suspended\n"
    "  130, 143  stopped by SIGINT, SIGTERM: nothing committed is lost\n";

const char *const help_group_titles[] = { "",
#define HELP_TITLE(name, title) title,
                                            CLI_GROUPS(HELP_TITLE)
#undef HELP_TITLE
};
const size_t help_group_count = PW_LENGTH(help_group_titles);

static void print_lines(const char *text)
{
    while (*text != '\0') {
        const char *end = strchr(text, '\n');
        size_t len = end ? (size_t)(end - text) : strlen(text);
        out_text("  ");
        out_bytes(text, len);
        out_text("\n");
        text += len + (end ? 1 : 0);
    }
}

enum { OPTION_WIDTH = 19 };

static void print_option(const cli_option *option)
{
    char left[64];
    int len = snprintf(left, sizeof left, "--%s%s%s%s%s", option->name, option->value ? " " : "",
                       option->value ? option->value : "", option->value2 ? " " : "",
                       option->value2 ? option->value2 : "");
    if (len > OPTION_WIDTH) /* the text on a line of its own */
        out_printf("  %s\n  %*s  %s\n", left, OPTION_WIDTH, "", option->help);
    else
        out_printf("  %-*s  %s\n", OPTION_WIDTH, left, option->help);
}

void help_command(const cli_command *command)
{
    out_printf("pawl %s - %s\n\nUsage: pawl %s [options]%s%s\n\n", command->name, command->summary,
               command->name, command->positionals[0] != '\0' ? " " : "", command->positionals);
    out_text(command->text);
    out_text("\n\nOptions\n");
    for (uint32_t i = 0; i < command->option_count; i++)
        print_option(&command->options[i]);
    for (uint32_t i = 0; i < cli_common_option_count; i++) {
        if (cli_takes(command, &cli_common_options[i]))
            print_option(&cli_common_options[i]);
    }
    if (command->examples) {
        out_text("\nExamples\n");
        print_lines(command->examples);
    }
    out_text("\nExit codes\n");
    if (command->exits)
        print_lines(command->exits);
    else
        out_text(help_exit_table);
}

void help_all(void)
{
    out_text("pawl - run workflows so that they survive a crash\n\n"
             "Usage: pawl COMMAND [options] [arguments]\n\nCommands\n");
    for (size_t group = 1; group < help_group_count; group++) {
        out_printf("\n%s\n", help_group_titles[group]);
        for (uint32_t i = 0; i < cli_command_count; i++) {
            cli_group its = cli_commands[i]->group ? cli_commands[i]->group : CLI_GROUP_TOOLS;
            if ((size_t)its == group)
                out_printf("  %-11s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
        }
    }
    out_text("\nOptions of every command\n");
    for (uint32_t i = 0; i < cli_common_option_count; i++)
        print_option(&cli_common_options[i]);
    out_text("\nExit codes\n");
    out_text(help_exit_table);
    out_text("\n`pawl help COMMAND` tells more about one of them.\n");
}

static int help(cli_app *cli)
{
    bool man = cli_flag(cli, "man");
    if (cli->positional_count == 0) {
        if (man)
            return print_man(cli, NULL);
        help_all();
        return EXIT_DONE;
    }
    const char **names = PW_NEW_ARRAY(&cli->arena, const char *, cli_command_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < cli_command_count; i++) {
        names[count++] = cli_commands[i]->name;
        if (strcmp(cli_commands[i]->name, cli->positionals[0]) == 0) {
            if (man)
                return print_man(cli, cli_commands[i]);
            help_command(cli_commands[i]);
            return EXIT_DONE;
        }
    }
    const char *near = pw_near(cli->positionals[0], names, count);
    return near ? cli_fail(cli, EXIT_USAGE, "no command '%s': did you mean '%s'?",
                           cli->positionals[0], near)
                : cli_fail(cli, EXIT_USAGE, "no command '%s': `pawl help` lists them",
                           cli->positionals[0]);
}

static int version(cli_app *cli)
{
    if (cli->json)
        out_printf("{\"version\":\"%s\"}\n", pawl_version());
    else
        out_printf("pawl %s\n", pawl_version());
    return EXIT_DONE;
}

// clang-format off
static const cli_option help_options[] = {
    { "man", NULL, NULL, "as a page of the manual, for man(1)" },
};

const cli_command command_help = {
    .name = "help", .positionals = "[COMMAND]", .least = 0, .most = 1, .has_store = false, .run = help,
    .options = help_options, .option_count = PW_LENGTH(help_options),
    .summary = "list the commands, or explain one",
    .text = "The manual in short.",
    .examples = "pawl help run",
    .exits = "0 done; 2 no such command",
};

const cli_command command_version = {
    .name = "version", .positionals = "", .least = 0, .most = 0, .has_store = false, .run = version,
    .summary = "print the version",
    .text = "One line: `pawl` and the version.",
    .exits = "0 done",
};
// clang-format on
