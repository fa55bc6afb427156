/* completion.c - `pawl completion`: what a shell offers when the tab key is pressed, made from the
 * tables that the commands and their options are in. */
#include <stdio.h>

#include "cli/cli.h"

/* What can stand in a place: a value of an option, or an argument. */
typedef enum kind { ANYTHING, FILES, JSON, WORDS, COMMANDS, PROGRAMS } kind;

typedef struct place {
    kind kind;
    pw_str words; /* of WORDS, with blanks between */
} place;

static bool says(const char *text, const char *word)
{
    return strstr(text, word) != NULL;
}

static place place_of_value(const cli_option *option)
{
    if (option->words)
        return (place){ WORDS, pw_str_of(option->words) };
    if (strcmp(option->value, "FILE") == 0 || strcmp(option->name, "db") == 0)
        return (place){ .kind = FILES };
    return (place){ .kind = strcmp(option->value, "JSON") == 0 ? JSON : ANYTHING };
}

/* "FILE...", "[COMMAND]", "bash|zsh|fish": the usage line says it. */
static place place_of_arguments(cli_app *cli, const cli_command *command)
{
    const char *text = command->positionals;
    if (says(text, "[COMMAND]"))
        return (place){ .kind = COMMANDS };
    if (says(text, "COMMAND..."))
        return (place){ .kind = PROGRAMS };
    if (says(text, "FILE"))
        return (place){ .kind = FILES };
    size_t len = strcspn(text, " [");
    if (!memchr(text, '|', len))
        return (place){ .kind = ANYTHING };
    char *words = pw_arena_alloc(&cli->arena, len + 1);
    for (size_t i = 0; i < len; i++)
        words[i] = text[i] == '|' ? ' ' : text[i];
    return (place){ WORDS, { words, len } };
}

/* Every option of the command, its own first. */
static const cli_option *option_at(const cli_command *command, uint32_t at)
{
    if (at < command->option_count)
        return &command->options[at];
    for (uint32_t i = 0, left = at - command->option_count; i < cli_common_option_count; i++) {
        if (cli_takes(command, &cli_common_options[i]) && left-- == 0)
            return &cli_common_options[i];
    }
    return NULL;
}

/* `text` with `escape` before each of `special`, for what stands in quotes of a shell. */
static void out_escaped(const char *text, const char *special, const char *escape)
{
    for (; *text; text++) {
        if (strchr(special, *text))
            out_text(escape);
        out_bytes(text, 1);
    }
}

/* ---- bash */

static void bash_offer(place p)
{
    switch (p.kind) {
    case ANYTHING:
        out_text("return");
        return;
    case FILES:
        out_text("_pawl_files \"$cur\"");
        return;
    case JSON:
        out_text("_pawl_json \"$cur\"");
        return;
    case WORDS:
        out_printf("COMPREPLY=($(compgen -W '" PW_FMT "' -- \"$cur\"))", PW_ARG(p.words));
        return;
    case COMMANDS:
        out_text("COMPREPLY=($(compgen -W \"$commands\" -- \"$cur\"))");
        return;
    case PROGRAMS:
        out_text("COMPREPLY=($(compgen -c -- \"$cur\"))");
        return;
    }
}

/* The arms of a `case` for the options that take a value. */
static void bash_values(const cli_option *options, uint32_t count, const char *indent)
{
    bool some = false;
    for (uint32_t i = 0; i < count; i++) {
        if (!options[i].value)
            continue;
        place p = place_of_value(&options[i]);
        if (p.kind == ANYTHING) {
            out_printf("%s--%s", some ? " | " : indent, options[i].name);
            some = true;
        }
    }
    if (some)
        out_text(") return ;;\n");
    for (uint32_t i = 0; i < count; i++) {
        if (!options[i].value || place_of_value(&options[i]).kind == ANYTHING)
            continue;
        out_printf("%s--%s) ", indent, options[i].name);
        bash_offer(place_of_value(&options[i]));
        out_text("; return ;;\n");
    }
}

static void bash_command(cli_app *cli, const cli_command *command)
{
    const cli_option *option;
    out_printf("    %s)\n        case $prev in\n", command->name);
    bash_values(command->options, command->option_count, "        ");
    out_text(
        "        esac\n        if [[ $cur == -* ]]; then\n            COMPREPLY=($(compgen -W '");
    for (uint32_t i = 0; (option = option_at(command, i)) != NULL; i++)
        out_printf("%s--%s", i ? " " : "", option->name);
    out_text("' -- \"$cur\"))\n        else\n            ");
    bash_offer(place_of_arguments(cli, command));
    out_text("\n        fi ;;\n");
}

static void bash(cli_app *cli)
{
    out_text("# Completion of pawl for bash. Once: source <(pawl completion bash); always: put "
             "that into\n"
             "# ~/.bashrc, or its output into /etc/bash_completion.d/pawl.\n\n"
             "_pawl_files() {\n"
             "    compopt -o filenames 2>/dev/null\n"
             "    local IFS=$'\\n'\n"
             "    COMPREPLY=($(compgen -f -- \"$1\"))\n"
             "}\n\n"
             "_pawl_json() {\n"
             "    [[ $1 == @* ]] || return\n"
             "    compopt -o nospace 2>/dev/null\n"
             "    local IFS=$'\\n'\n"
             "    COMPREPLY=($(compgen -P @ -f -- \"${1#@}\"))\n"
             "}\n\n"
             "_pawl() {\n"
             "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command= "
             "i commands\n"
             "    commands='");
    for (uint32_t i = 0; i < cli_command_count; i++)
        out_printf("%s%s", i ? " " : "", cli_commands[i]->name);
    out_text("'\n"
             "    COMPREPLY=()\n"
             "    # bash takes --name=value apart\n"
             "    if [[ $cur == = ]]; then\n"
             "        cur=\n"
             "    elif [[ $prev == = ]]; then\n"
             "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
             "    fi\n"
             "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
             "        case ${COMP_WORDS[i]} in\n"
             "        ");
    bool first = true;
    for (uint32_t i = 0; i < cli_common_option_count; i++) {
        if (cli_common_options[i].value) {
            out_printf("%s--%s", first ? "" : " | ", cli_common_options[i].name);
            first = false;
        }
    }
    out_text(")\n"
             "            [[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))\n"
             "            ((i++)) ;;\n"
             "        -*) ;;\n"
             "        *)\n"
             "            command=${COMP_WORDS[i]}\n"
             "            break ;;\n"
             "        esac\n"
             "    done\n"
             "    case $prev in\n");
    bash_values(cli_common_options, cli_common_option_count, "    ");
    out_text("    esac\n"
             "    case $command in\n"
             "    '')\n"
             "        COMPREPLY=($(compgen -W \"$commands");
    for (uint32_t i = 0; i < cli_common_option_count; i++)
        out_printf(" --%s", cli_common_options[i].name);
    out_text("\" -- \"$cur\")) ;;\n");
    for (uint32_t i = 0; i < cli_command_count; i++)
        bash_command(cli, cli_commands[i]);
    out_text("    esac\n}\n\ncomplete -F _pawl pawl\n");
}

/* ---- zsh */

static void zsh_action(place p)
{
    switch (p.kind) {
    case ANYTHING:
        out_text(" ");
        return;
    case FILES:
        out_text("_files");
        return;
    case JSON:
        out_text("_pawl_json");
        return;
    case WORDS:
        out_printf("(" PW_FMT ")", PW_ARG(p.words));
        return;
    case COMMANDS:
        out_text("_pawl_commands");
        return;
    case PROGRAMS:
        out_text("_command_names -e");
        return;
    }
}

/* In single quotes; brackets and colons have a meaning of their own in a specification. */
static void zsh_text(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            out_text("'\\''");
        else
            out_escaped((const char[]){ *text, '\0' }, "[]:\\", "\\");
    }
}

static void zsh_option(const cli_option *option)
{
    bool many = option->many || option->value2;
    out_printf("            '%s--%s%s[", many ? "*" : "", option->name,
               option->value && !option->value2 ? "=" : "");
    zsh_text(option->help);
    out_text("]");
    if (option->value) {
        out_text(":");
        zsh_text(option->value);
        out_text(":");
        zsh_action(place_of_value(option));
    }
    if (option->value2) {
        out_text(":");
        zsh_text(option->value2);
        out_text(": ");
    }
    out_text("' \\\n");
}

static void zsh(cli_app *cli)
{
    const cli_option *option;
    out_text("#compdef pawl\n"
             "# Completion of pawl for zsh: pawl completion zsh > a file named _pawl in a folder "
             "of $fpath.\n\n"
             "_pawl_json() {\n"
             "    compset -P '@' && _files\n"
             "}\n\n"
             "_pawl_commands() {\n"
             "    local -a commands\n"
             "    commands=(\n");
    for (uint32_t i = 0; i < cli_command_count; i++) {
        out_printf("        '%s:", cli_commands[i]->name);
        zsh_text(cli_commands[i]->summary);
        out_text("'\n");
    }
    out_text("    )\n"
             "    _describe -t commands command commands\n"
             "}\n\n"
             "_pawl() {\n"
             "    local curcontext=$curcontext state line\n"
             "    typeset -A opt_args\n"
             "    _arguments -C \\\n");
    for (uint32_t i = 0; i < cli_common_option_count; i++)
        zsh_option(&cli_common_options[i]);
    out_text("            '1:command:_pawl_commands' \\\n"
             "            '*::argument:->arguments'\n"
             "    [[ $state == arguments ]] || return\n"
             "    case $line[1] in\n");
    for (uint32_t i = 0; i < cli_command_count; i++) {
        const cli_command *command = cli_commands[i];
        place p = place_of_arguments(cli, command);
        out_printf("    %s)\n        _arguments \\\n", command->name);
        for (uint32_t o = 0; (option = option_at(command, o)) != NULL; o++)
            zsh_option(option);
        out_text(p.kind == WORDS ? "            '1:" : "            '*:");
        zsh_text(command->positionals[0] ? command->positionals : "nothing");
        out_text(":");
        zsh_action(p);
        out_text("' ;;\n");
    }
    out_text("    esac\n}\n\n_pawl \"$@\"\n");
}

/* ---- fish */

static void fish_line(const char *command, const char *rest)
{
    if (command)
        out_printf("complete -c pawl -n '__fish_seen_subcommand_from %s'%s", command, rest);
    else
        out_printf("complete -c pawl%s", rest);
}

static void fish_offer(place p)
{
    switch (p.kind) {
    case ANYTHING:
        return;
    case FILES:
    case JSON: /* also a value: fish cannot tell @FILE from it */
        out_text(" -F");
        return;
    case WORDS:
        out_printf(" -f -a '" PW_FMT "'", PW_ARG(p.words));
        return;
    case COMMANDS:
        out_text(" -f -a '");
        for (uint32_t i = 0; i < cli_command_count; i++)
            out_printf("%s%s", i ? " " : "", cli_commands[i]->name);
        out_text("'");
        return;
    case PROGRAMS:
        out_text(" -f -a '(__fish_complete_command)'");
        return;
    }
}

static void fish_option(const char *command, const cli_option *option)
{
    fish_line(command, " -l ");
    out_text(option->name);
    if (option->value) {
        place p = place_of_value(option);
        out_text(p.kind == ANYTHING ? " -x" : " -r");
        fish_offer(p);
    }
    out_text(" -d '");
    out_escaped(option->help, "'\\", "\\");
    out_text("'\n");
}

static void fish(cli_app *cli)
{
    const cli_option *option;
    out_text("# Completion of pawl for fish: pawl completion fish > "
             "~/.config/fish/completions/pawl.fish\n\n"
             "complete -c pawl -f\n");
    for (uint32_t i = 0; i < cli_command_count; i++) {
        out_printf("complete -c pawl -n __fish_use_subcommand -a %s -d '", cli_commands[i]->name);
        out_escaped(cli_commands[i]->summary, "'\\", "\\");
        out_text("'\n");
    }
    for (uint32_t i = 0; i < cli_common_option_count; i++)
        fish_option(NULL, &cli_common_options[i]);
    for (uint32_t i = 0; i < cli_command_count; i++) {
        const cli_command *command = cli_commands[i];
        place p = place_of_arguments(cli, command);
        for (uint32_t o = 0; o < command->option_count && (option = option_at(command, o)) != NULL;
             o++)
            fish_option(command->name, option);
        if (p.kind != ANYTHING) {
            fish_line(command->name, "");
            fish_offer(p);
            out_text("\n");
        }
    }
}

static int completion(cli_app *cli)
{
    static const struct {
        const char *shell;
        void (*write)(cli_app *cli);
    } shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };
    for (size_t i = 0; i < PW_LENGTH(shells); i++) {
        if (strcmp(shells[i].shell, cli->positionals[0]) == 0) {
            shells[i].write(cli);
            return EXIT_DONE;
        }
    }
    return cli_fail(cli, EXIT_USAGE, "completion is for bash, zsh or fish, not for '%s'",
                    cli->positionals[0]);
}

// clang-format off
const cli_command command_completion = {
    .name = "completion", .positionals = "bash|zsh|fish", .least = 1, .most = 1, .group = CLI_GROUP_TOOLS, .run = completion,
    .summary = "print what lets a shell complete commands and options",
    .text = "A script for the shell that is named; its first lines say where it goes.",
    .examples =
        "source <(pawl completion bash)\n"
        "pawl completion fish > ~/.config/fish/completions/pawl.fish",
    .exits = "0 done; 2 no such shell",
};
// clang-format on
