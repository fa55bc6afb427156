/* settings.c - see settings.h. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/settings.h"

typedef struct teller {
    cli_app *cli;
    void (*say)(const char *line);
    uint32_t told;
} teller;

static void tell_line(teller *t, const char *line)
{
    t->told++;
    if (t->say)
        t->say(line);
    else if (!t->cli->json) /* the error that follows says the first of them */
        cli_note("pawl %s: %s", t->cli->command->name, line);
}

static void on_problem(void *context, const char *key, const char *value, const char *where,
                       const char *message)
{
    teller *t = context;
    const bool has_value = value[0] != '\0';
    pw_str line = pw_arena_printf(&t->cli->arena, "%s: %s%s%s%s%s%s", where, key,
                                  key[0] != '\0' ? ": " : "", has_value ? "'" : "", value,
                                  has_value ? "' " : "", message);
    tell_line(t, line.ptr);
}

/* What was told piece by piece is not told again as a whole. */
static void tell_error(teller *t, uint32_t told_before, const pawl_error *err)
{
    if (t->told == told_before)
        tell_line(t, err->message);
}

static pawl_code set(pawl_config *config, const char *key, const char *value,
                     pawl_config_source source, pawl_error *err)
{
    return value && value[0] != '\0' ? pawl_config_set(config, key, value, source, err) : PAWL_OK;
}

/* Names that were there before the settings had theirs. */
static pawl_code take_old_names(pawl_config *config, pawl_error *err)
{
    static const char *const names[][2] = {
        { "Store:Uri", "PAWL_DB" },
        { "Engine:EgressMap", "PAWL_EGRESS_MAP" },
        { "Engine:EgressCa", "PAWL_EGRESS_CA" },
        { "Engine:EgressAllow", "PAWL_EGRESS_ALLOW" },
    };
    pawl_code code = PAWL_OK;
    for (size_t i = 0; i < PW_LENGTH(names) && code == PAWL_OK; i++) {
        code = set(config, names[i][0], getenv(names[i][1]), PAWL_CONFIG_ENVIRONMENT, err);
        if (code != PAWL_OK)
            (void)pw_error_context(err, code, "%s", names[i][1]);
    }
    return code;
}

static pawl_code take_set(cli_app *cli, pawl_config *config, const char *pair, pawl_error *err)
{
    const char *equals = strchr(pair, '=');
    if (!equals)
        return pw_fail(err, PAWL_INVALID, "--set needs KEY=VALUE, not '%s'", pair);
    pw_str key = pw_arena_str(&cli->arena, (pw_str){ pair, (size_t)(equals - pair) });
    return pawl_config_set(config, key.ptr, equals + 1, PAWL_CONFIG_FLAG, err);
}

static pawl_code take_option(cli_app *cli, pawl_config *config, const cli_given *given,
                             pawl_error *err)
{
    static const char *const names[][2] = {
        { "db", "Store:Uri" },
        { "listen", "Server:Listen" },
        { "tls-cert", "Server:Tls:Certificate" },
        { "tls-key", "Server:Tls:Key" },
        { "auth", "Server:Authentication" },
        { "insecure", "Server:Insecure" },
    };
    if (strcmp(given->name, "set") == 0 && cli->command != &command_edit) /* there it is of the instance's data */
        return take_set(cli, config, given->value, err);
    for (size_t i = 0; i < PW_LENGTH(names); i++) {
        if (strcmp(given->name, names[i][0]) == 0)
            return pawl_config_set(config, names[i][1], given->value[0] ? given->value : "true",
                                   PAWL_CONFIG_FLAG, err);
    }
    return PAWL_OK; /* an option that is no setting */
}

/* Everything is read, so that all problems are told at once; gives the first. */
static pawl_code take_all(cli_app *cli, pawl_config *config, teller *t, pawl_error *first)
{
    pawl_error err;
    pawl_code code = PAWL_OK, next;
    const char *file = cli_value(cli, "config");
    uint32_t before = t->told;
#define TAKE(call)                                                                                 \
    do {                                                                                           \
        before = t->told;                                                                          \
        next = (call);                                                                             \
        if (next != PAWL_OK) {                                                                     \
            tell_error(t, before, &err);                                                           \
            if (code == PAWL_OK)                                                                   \
                *first = err;                                                                      \
            code = code == PAWL_OK ? next : code;                                                  \
        }                                                                                          \
    } while (0)
    if (file)
        TAKE(pawl_config_file(config, file, on_problem, t, &err));
    TAKE(take_old_names(config, &err));
    TAKE(pawl_config_environment(config, environ, on_problem, t, &err));
    for (uint32_t i = 0; i < cli->given_count; i++)
        TAKE(take_option(cli, config, &cli->given[i], &err));
    if (code == PAWL_OK)
        TAKE(pawl_config_check(config, on_problem, t, &err));
#undef TAKE
    return code;
}

int cli_config(cli_app *cli, const pawl_config **out)
{
    const int code = cli->config ? EXIT_DONE : cli_settings(cli, &cli->config, NULL);
    *out = cli->config;
    return code;
}

int cli_settings(cli_app *cli, pawl_config **out, void (*say)(const char *line))
{
    teller t = { .cli = cli, .say = say };
    pawl_config *config = NULL;
    pawl_error err;
    pawl_code code = pawl_config_new(&config, &err);
    if (code == PAWL_OK)
        code = take_all(cli, config, &t, &err);
    if (code == PAWL_OK) {
        *out = config;
        return EXIT_DONE;
    }
    pawl_config_free(config);
    if (!say && (cli->json || t.told == 0))
        return cli_fail_error(cli, &err);
    return cli_exit_of(code);
}
