/* request.c - a command as JSON, of what stands on the command line. */
#include <stdio.h>

#include "cli/cli.h"

void request_begin(cli_app *cli, cli_request *request, const char *command)
{
    *request = (cli_request){ .arena = &cli->arena };
    request_text(request, "command", command);
}

void request_add(cli_request *request, const char *member, pw_value value)
{
    pw_object_add(request, pw_str_of(member), value);
}

void request_text(cli_request *request, const char *member, const char *text)
{
    if (text)
        request_add(request, member, pw_string_ref(pw_str_of(text)));
}

void request_option(cli_app *cli, cli_request *request, const char *name)
{
    request_text(request, name, cli_value(cli, name));
}

int request_pairs(cli_app *cli, cli_request *request, const char *member, const char *name)
{
    pw_object_builder pairs = { .arena = &cli->arena };
    for (uint32_t i = 0; i < cli->given_count; i++) {
        const char *text = cli->given[i].value, *equals = strchr(text, '=');
        if (strcmp(cli->given[i].name, name) != 0)
            continue;
        if (!equals || equals == text)
            return cli_fail(cli, EXIT_USAGE, "option '--%s' is NAME=VALUE, not '%s'", name, text);
        pw_object_add(&pairs, (pw_str){ text, (size_t)(equals - text) },
                      pw_string_ref(pw_str_of(equals + 1)));
    }
    if (pairs.count > 0)
        request_add(request, member, pw_object_end(&pairs));
    return EXIT_DONE;
}

void request_texts(cli_app *cli, cli_request *request, const char *member, const char *name)
{
    pw_array_builder texts = { .arena = &cli->arena };
    for (uint32_t i = 0; i < cli->given_count; i++) {
        if (strcmp(cli->given[i].name, name) == 0)
            pw_array_add(&texts, pw_string_ref(pw_str_of(cli->given[i].value)));
    }
    if (texts.count > 0)
        request_add(request, member, pw_array_end(&texts));
}

int request_who(cli_app *cli, cli_request *request)
{
    if (cli->server && cli_value(cli, "actor"))
        return cli_fail(cli, EXIT_USAGE,
                        "--actor: the server knows who you are by your token, and writes that");
    if (!cli->server)
        request_text(request, "actor", cli_actor(cli));
    request_text(request, "idempotencyKey", cli_value(cli, "idempotency-key"));
    uint64_t token = 0;
    if (!cli_number(cli, "if-token", 1, INT64_MAX, 0, &token))
        return EXIT_USAGE;
    if (token > 0)
        request_add(request, "ifToken", pw_int((int64_t)token));
    return EXIT_DONE;
}
