/* options.c - the command line of one command.
 *
 * Options stand before or behind the positionals, as `--name value` or `--name=value`; `--` ends
 * them; a single `-` is a positional (standard input). An option that takes one value is given
 * once: a second one is more often a mistake than a wish. */
#include <stdio.h>
#include <stdlib.h>
#include <errno.h>

#include "base/moment.h"
#include "cli/cli.h"

// clang-format off
const cli_option cli_common_options[] = {
    { "db", "URI", NULL, "the store: sqlite:PATH or a path; else the environment's PAWL_DB" },
    { "server", "URL", NULL, "the server of a store, instead of the store; else the environment's PAWL_SERVER" },
    { "config", "FILE", NULL, "settings, YAML or JSON: doc/configuration.md; not with a server, which has its own" },
    { "token", "TOKEN", NULL, "who you are, to the server; else PAWL_TOKEN. Others can see it in a list of processes" },
    { "token-file", "FILE", NULL, "the same, from a file" },
    { "ca", "FILE", NULL, "certificates (PEM) to trust beside the system's; else PAWL_CA" },
    { "json", NULL, NULL, "results as JSON on standard output, errors as JSON on standard error" },
    { "help", NULL, NULL, "this text" },
};
// clang-format on
const uint32_t cli_common_option_count = PW_LENGTH(cli_common_options);

/* ---- parsing */

bool cli_takes(const cli_command *command, const cli_option *common)
{
    if (strcmp(common->name, "json") == 0 || strcmp(common->name, "help") == 0)
        return true;
    return command->has_store && (!command->local || strcmp(common->name, "db") == 0 ||
                                  strcmp(common->name, "config") == 0);
}

static const cli_option *find_common(const char *name, size_t len)
{
    for (uint32_t i = 0; i < cli_common_option_count; i++) {
        const cli_option *option = &cli_common_options[i];
        if (strlen(option->name) == len && memcmp(option->name, name, len) == 0)
            return option;
    }
    return NULL;
}

static const cli_option *find_option(const cli_app *cli, const char *name, size_t len)
{
    for (uint32_t i = 0; i < cli->command->option_count; i++) {
        const cli_option *option = &cli->command->options[i];
        if (strlen(option->name) == len && memcmp(option->name, name, len) == 0)
            return option;
    }
    const cli_option *common = find_common(name, len);
    return common && cli_takes(cli->command, common) ? common : NULL;
}

static bool unknown_option(const cli_app *cli, const char *word, size_t len)
{
    const char *names[CLI_OPTIONS_MAX + 8];
    size_t count = 0;
    for (uint32_t i = 0; i < cli->command->option_count && count < CLI_OPTIONS_MAX; i++)
        names[count++] = cli->command->options[i].name;
    for (uint32_t i = 0; i < cli_common_option_count; i++) {
        if (cli_takes(cli->command, &cli_common_options[i]))
            names[count++] = cli_common_options[i].name;
    }
    char name[65]; /* longer ones are near to none */
    (void)snprintf(name, sizeof name, "%.*s", len > 64 ? 64 : (int)len, word);
    const char *near = pw_near(name, names, count);
    if (near)
        (void)cli_fail(cli, EXIT_USAGE, "no option '--%s': did you mean '--%s'?", name, near);
    else
        (void)cli_fail(cli, EXIT_USAGE, "no option '--%s': see `pawl help %s`", name,
                       cli->command->name);
    return false;
}

static bool accept_option(cli_app *cli, const cli_option *option, const char *value,
                          const char *value2)
{
    if (strcmp(option->name, "json") == 0) {
        cli->json = true;
        return true;
    }
    if (strcmp(option->name, "help") == 0) {
        cli->help = true;
        return true;
    }
    if (!option->value2 && !option->many && cli_value(cli, option->name)) {
        (void)cli_fail(cli, EXIT_USAGE, "option '--%s' is given twice", option->name);
        return false;
    }
    if (option == find_common(option->name, strlen(option->name)) && value[0] == '\0') {
        bool db = strcmp(option->name, "db") == 0;
        (void)cli_fail(cli, EXIT_USAGE, "option '--%s' needs %s%s", option->name,
                       db ? "a store" : option->value, db ? ": sqlite:PATH or a path" : "");
        return false;
    }
    cli->given[cli->given_count++] =
        (cli_given){ option->name, option->value ? value : "", value2 };
    return true;
}

/* The option at argv[*at], whose words it steps over. */
static bool read_option(cli_app *cli, const cli_option *option, const char *equals, int argc,
                        char **argv, int *at)
{
    const char *value = NULL, *value2 = NULL;
    if (!option->value && equals) {
        (void)cli_fail(cli, EXIT_USAGE, "option '--%s' takes no value", option->name);
        return false;
    }
    if (option->value) {
        value = equals ? equals + 1 : (*at + 1 < argc ? argv[++*at] : NULL);
        if (value && option->value2)
            value2 = *at + 1 < argc ? argv[++*at] : NULL;
        if (!value || (option->value2 && !value2)) {
            (void)cli_fail(cli, EXIT_USAGE, "option '--%s' needs %s%s%s", option->name,
                           option->value, option->value2 ? " and " : "",
                           option->value2 ? option->value2 : "");
            return false;
        }
    }
    return accept_option(cli, option, value, value2);
}

int cli_parse_before(cli_app *cli, int argc, char **argv)
{
    cli->given = PW_NEW_ARRAY(&cli->arena, cli_given, (size_t)argc);
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
        const char *word = argv[i];
        if (strcmp(word, "-h") == 0) {
            cli->help = true;
            continue;
        }
        if (strcmp(word, "--version") == 0) {
            cli->command = &command_version;
            continue;
        }
        const char *name = word + 2, *equals = word[1] == '-' ? strchr(name, '=') : NULL;
        const cli_option *option =
            word[1] == '-' ? find_common(name, equals ? (size_t)(equals - name) : strlen(name))
                           : NULL;
        if (!option) {
            (void)cli_fail(cli, EXIT_USAGE,
                           "'%s' stands before the command: its own options stand behind its name",
                           word);
            return 0;
        }
        if (!read_option(cli, option, equals, argc, argv, &i))
            return 0;
    }
    return i;
}

bool cli_parse(cli_app *cli, int argc, char **argv)
{
    size_t words = argc > 0 ? (size_t)argc : 0;
    /* Options from before the command's name are there already. */
    cli_given *given = PW_NEW_ARRAY(&cli->arena, cli_given, cli->given_count + words + 1);
    if (cli->given_count > 0)
        memcpy(given, cli->given, cli->given_count * sizeof *given);
    cli->given = given;
    cli->positionals = PW_NEW_ARRAY(&cli->arena, const char *, words + 1);
    for (uint32_t i = 0; i < cli->given_count && !cli->help; i++) {
        if (!find_option(cli, given[i].name, strlen(given[i].name)))
            return unknown_option(cli, given[i].name, strlen(given[i].name));
    }
    bool options_end = false;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (options_end || word[0] != '-' || word[1] == '\0') {
            cli->positionals[cli->positional_count++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            options_end = true;
            continue;
        }
        if (strcmp(word, "-h") == 0) {
            cli->help = true;
            continue;
        }
        if (word[1] != '-') {
            (void)cli_fail(cli, EXIT_USAGE,
                           "no option '%s': options are spelled out, as in '--json'; a value that "
                           "begins with '-' goes behind '--'",
                           word);
            return false;
        }
        const char *name = word + 2, *equals = strchr(name, '=');
        size_t len = equals ? (size_t)(equals - name) : strlen(name);
        const cli_option *option = find_option(cli, name, len);
        if (!option)
            return unknown_option(cli, name, len);
        if (!read_option(cli, option, equals, argc, argv, &i))
            return false;
    }
    if (cli->help)
        return true; /* whatever else is missing */
    if (cli->positional_count < cli->command->least) {
        (void)cli_fail(cli, EXIT_USAGE, "%s is missing: pawl %s %s", cli->command->positionals,
                       cli->command->name, cli->command->positionals);
        return false;
    }
    if (cli->positional_count > cli->command->most) {
        (void)cli_fail(cli, EXIT_USAGE, "'%s' is one argument too many: pawl %s %s",
                       cli->positionals[cli->command->most], cli->command->name,
                       cli->command->positionals);
        return false;
    }
    return true;
}

/* ---- reading */

const char *cli_value(const cli_app *cli, const char *name)
{
    for (uint32_t i = 0; i < cli->given_count; i++) {
        if (strcmp(cli->given[i].name, name) == 0)
            return cli->given[i].value;
    }
    return NULL;
}

bool cli_flag(const cli_app *cli, const char *name)
{
    return cli_value(cli, name) != NULL;
}

bool cli_number(const cli_app *cli, const char *name, uint64_t least, uint64_t most,
                uint64_t otherwise, uint64_t *out)
{
    const char *text = cli_value(cli, name);
    *out = otherwise;
    if (!text)
        return true;
    char *end = NULL;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || n < least || n > most) {
        (void)cli_fail(cli, EXIT_USAGE,
                       "option '--%s' is a whole number from %llu to %llu, not '%s'", name,
                       (unsigned long long)least, (unsigned long long)most, text);
        return false;
    }
    *out = n;
    return true;
}

bool cli_time(const cli_app *cli, const char *name, uint64_t otherwise, uint64_t *out)
{
    const char *text = cli_value(cli, name);
    pw_duration duration;
    *out = otherwise;
    if (!text)
        return true;
    if (pw_duration_parse(&duration, pw_str_of(text), NULL) != PAWL_OK || duration.months != 0 ||
        duration.ms == 0 || duration.ms > INT64_MAX) {
        (void)cli_fail(cli, EXIT_USAGE, "option '--%s' is a time such as 30s, 24h or 90d, not '%s'",
                       name, text);
        return false;
    }
    *out = duration.ms;
    return true;
}
