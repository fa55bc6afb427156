/* token.c - `pawl token`: identities for the server. */
#include <stdio.h>

#include "base/moment.h"
#include "cli/table.h"

/* ---- create */

/* ROLE, or ROLE@NAMESPACE. */
static int add_roles(cli_app *cli, cli_request *request)
{
    pw_array_builder roles = { .arena = &cli->arena };
    for (uint32_t i = 0; i < cli->given_count; i++) {
        pw_str text = pw_str_of(cli->given[i].value), where = PW_LIT("*");
        if (strcmp(cli->given[i].name, "role") != 0)
            continue;
        const char *at = memchr(text.ptr, '@', text.len);
        if (at) {
            where = pw_str_of(at + 1);
            text.len = (size_t)(at - text.ptr);
        }
        if (text.len == 0 || where.len == 0)
            return cli_fail(cli, EXIT_USAGE, "option '--role' is ROLE or ROLE@NAMESPACE, not '%s'",
                            cli->given[i].value);
        pw_array_add(&roles,
                     pw_object_of(&cli->arena,
                                  (pw_member[]){ { PW_LIT("role"), pw_string_ref(text) },
                                                 { PW_LIT("namespace"), pw_string_ref(where) } },
                                  2));
    }
    if (roles.count == 0)
        return cli_fail(
            cli, EXIT_USAGE,
            "--role is missing: viewer, worker, starter, operator or admin, with @NAMESPACE "
            "for one namespace only");
    request_add(request, "roles", pw_array_end(&roles));
    return EXIT_DONE;
}

/* The token alone on standard output: it is for a file. */
static void print_token(cli_app *cli, pw_value made)
{
    pw_str expires = pw_get_text(made, "expiresAt");
    print_line_out(cli_safe(&cli->arena, pw_get_text(made, "token")));
    cli_note("pawl token: this is shown once only. It is " PW_FMT "'s, with the id " PW_FMT
             "%s" PW_FMT,
             PW_ARG(pw_get_text(made, "name")), PW_ARG(pw_get_text(made, "id")),
             expires.len ? ", until " : "", PW_ARG(expires));
}

static int create(cli_app *cli, const char *name)
{
    cli_request request;
    uint64_t lasts = 0;
    request_begin(cli, &request, "token-create");
    request_text(&request, "name", name);
    request_texts(cli, &request, "ofGroups", "group");
    request_option(cli, &request, "note");
    int code = add_roles(cli, &request);
    if (code != EXIT_DONE || !cli_time(cli, "expires", 0, &lasts))
        return EXIT_USAGE;
    if (lasts > 0)
        request_add(
            &request, "expiresAt",
            pw_string_ref(pw_moment_text(
                &cli->arena, pw_duration_after(cli_now_ms(), (pw_duration){ .ms = lasts }))));
    code = request_who(cli, &request);
    return code == EXIT_DONE ? cli_ask(cli, CLI_CREATE, pw_object_end(&request), print_token)
                             : code;
}

/* ---- list and revoke */

static pw_str joined(pw_arena *arena, pw_value list, bool roles)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (uint32_t i = 0; pw_is(list, PW_ARRAY) && i < list.count; i++) {
        pw_value item = pw_item(list, i);
        pw_str where = pw_get_text(item, "namespace");
        pw_buf_text(&buf, i ? ", " : "");
        pw_buf_str(&buf, roles ? pw_get_text(item, "role") : pw_text(item));
        if (roles && !pw_str_is(where, "*")) {
            pw_buf_char(&buf, '@');
            pw_buf_str(&buf, where);
        }
    }
    pw_str text = buf.len > 0 ? cli_safe(arena, pw_buf_view(&buf)) : PW_LIT("-");
    pw_buf_done(&buf);
    return text;
}

static void print_tokens(cli_app *cli, pw_value answer)
{
    static const char *const heads[] = {
        "ID", "NAME", "ROLES", "GROUPS", "CREATED", "VALID", "NOTE"
    };
    pw_arena *arena = &cli->arena;
    pw_value list = pw_get_lit(answer, "tokens");
    table *t = table_new(arena, heads, PW_LENGTH(heads));
    for (uint32_t i = 0; i < list.count; i++) {
        pw_value token = pw_item(list, i);
        pw_str expires = pw_get_text(token, "expiresAt"), revoked = pw_get_text(token, "revokedAt");
        if (t->rows == TABLE_ROWS) { /* there is no page behind: all come at once */
            table_print(t);
            t->rows = 0;
        }
        table_put(t, 0, cli_safe(arena, pw_get_text(token, "id")));
        table_put(t, 1, cli_safe(arena, pw_get_text(token, "name")));
        table_put(t, 2, joined(arena, pw_get_lit(token, "roles"), true));
        table_put(t, 3, joined(arena, pw_get_lit(token, "groups"), false));
        table_put(t, 4, cli_safe(arena, pw_get_text(token, "createdAt")));
        table_put(
            t, 5,
            cli_safe(arena, revoked.len ? pw_arena_printf(arena, "revoked " PW_FMT, PW_ARG(revoked))
                            : expires.len ? pw_arena_printf(arena, "until " PW_FMT, PW_ARG(expires))
                                          : PW_LIT("for ever")));
        table_put(t, 6, cli_safe(arena, pw_get_text(token, "note")));
        t->rows++;
    }
    if (list.count == 0)
        cli_note("pawl token: there are none");
    else
        table_print(t);
}

static void print_revoked(cli_app *cli, pw_value answer)
{
    (void)cli;
    out_safe(pw_get_text(answer, "id"));
    out_text(" is revoked\n");
}

static int token(cli_app *cli)
{
    const char *action = cli->positionals[0],
               *what = cli->positional_count > 1 ? cli->positionals[1] : NULL;
    cli_request request;
    if (strcmp(action, "create") == 0)
        return what ? create(cli, what)
                    : cli_fail(cli, EXIT_USAGE,
                               "NAME is missing: pawl token create NAME --role ROLE");
    if (cli_value(cli, "role") || cli_value(cli, "group") || cli_value(cli, "expires") ||
        cli_value(cli, "note"))
        return cli_fail(cli, EXIT_USAGE,
                        "--role, --group, --expires and --note are for `pawl token create`");
    if (strcmp(action, "list") == 0) {
        if (what)
            return cli_fail(cli, EXIT_USAGE, "'%s' is one argument too many: pawl token list",
                            what);
        request_begin(cli, &request, "tokens");
        return cli_ask(cli, CLI_LOOK, pw_object_end(&request), print_tokens);
    }
    if (strcmp(action, "revoke") != 0)
        return cli_fail(cli, EXIT_USAGE, "create, list or revoke, not '%s'", action);
    if (!what)
        return cli_fail(cli, EXIT_USAGE, "ID is missing: `pawl token list` shows it");
    request_begin(cli, &request, "token-revoke");
    request_text(&request, "tokenId", what);
    int code = request_who(cli, &request);
    return code == EXIT_DONE ? cli_ask(cli, CLI_CHANGE, pw_object_end(&request), print_revoked)
                             : code;
}

// clang-format off
static const cli_option options[] = {
    { "role", "ROLE[@NAMESPACE]", NULL, "viewer, worker, starter, operator or admin; may be repeated", "viewer worker starter operator admin", .many = true },
    { "group", "NAME", NULL, "that it is a member of, for people's tasks; may be repeated", .many = true },
    { "expires", "TIME", NULL, "it is valid for so long, such as 90d; else until it is revoked" },
    { "note", "TEXT", NULL, "for people" },
    CLI_ACTOR("does it"),
};

const cli_command command_token = {
    .name = "token", .positionals = "create|list|revoke [NAME|ID]", .least = 1, .most = 2, .has_store = true,
    .group = CLI_GROUP_SERVER, .run = token, .options = options, .option_count = PW_LENGTH(options),
    .summary = "make, list and revoke the tokens by which a server knows who asks",
    .text =
        "`create NAME` prints a new token for NAME, once: the store keeps a hash of it only. NAME stands in the log\n"
        "for what is done with it, and may have several. A viewer looks; a starter starts instances, too; an operator\n"
        "moves them and deploys; an admin may do everything; a worker takes jobs. ROLE@NAMESPACE gives the role for\n"
        "definitions in one namespace and their instances. `revoke ID` ends a token at once.",
    .examples =
        "pawl token create ada --role operator@shop --group accounting --expires 90d --db sqlite:shop.db > ada.token\n"
        "pawl token list --db sqlite:shop.db",
    .exits = "0 done; 2 usage, no such token, or not allowed; 3 store or system trouble",
};
// clang-format on
