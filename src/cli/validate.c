/* validate.c - `pawl validate`: every finding in every file, without a store. */
#include <stdio.h>

#include "cli/cli.h"

#define DOCUMENT_MAX ((size_t)16 << 20)

typedef struct report {
    cli_app *cli;
    const char *path;
    uint32_t errors;
    pw_array_builder findings;
} report;

static void on_finding(void *context, const pawl_finding *finding)
{
    report *to = context;
    pw_arena *arena = &to->cli->arena;
    if (finding->is_error)
        to->errors++;
    if (to->cli->json) {
        pw_array_add(
            &to->findings,
            pw_object_of(arena,
                         (pw_member[]){
                             { PW_LIT("line"), pw_int(finding->line) },
                             { PW_LIT("column"), pw_int(finding->column) },
                             { PW_LIT("error"), pw_bool(finding->is_error != 0) },
                             { PW_LIT("pointer"), pw_string(arena, pw_str_of(finding->pointer)) },
                             { PW_LIT("message"), pw_string(arena, pw_str_of(finding->message)) } },
                         5));
        return;
    }
    /* A finding about the whole document is at its beginning: editors jump there. */
    out_safe(pw_str_of(to->path));
    out_printf(":%d:%d: %s", finding->line > 0 ? finding->line : 1,
               finding->column > 0 ? finding->column : 1, finding->is_error ? "" : "warning: ");
    out_safe(pw_str_of(finding->message));
    out_text("\n");
}

static int check(cli_app *cli, const char *path)
{
    pw_str text;
    int code = cli_read_file(cli, path, DOCUMENT_MAX, &text);
    if (code != EXIT_DONE)
        return code;
    report to = { .cli = cli,
                  .path = strcmp(path, "-") == 0 ? "standard input" : path,
                  .findings.arena = &cli->arena };
    pawl_error err;
    pawl_code checked = pawl_validate(text.ptr, text.len, on_finding, &to, &err);
    if (cli->json) {
        pw_value valid = pw_bool(checked == PAWL_OK);
        if (checked == PAWL_OK || checked == PAWL_INVALID)
            out_json(
                pw_object_of(&cli->arena,
                             (pw_member[]){ { PW_LIT("file"), pw_string_ref(pw_str_of(to.path)) },
                                            { PW_LIT("valid"), valid },
                                            { PW_LIT("findings"), pw_array_end(&to.findings) } },
                             3),
                PW_JSON_COMPACT);
    }
    if (checked == PAWL_OK)
        return EXIT_DONE;
    if (checked == PAWL_INVALID && to.errors > 0)
        return EXIT_USAGE;
    (void)pw_error_context(&err, checked, "%s", to.path);
    return cli_fail_error(cli, &err);
}

static int validate(cli_app *cli)
{
    int worst = EXIT_DONE;
    for (uint32_t i = 0; i < cli->positional_count && !cli_interrupted(); i++) {
        int code = check(cli, cli->positionals[i]);
        if (code > worst)
            worst = code;
    }
    return worst;
}

// clang-format off
const cli_command command_validate = {
    .name = "validate", .positionals = "FILE...", .least = 1, .most = UINT32_MAX, .has_store = false,
    .run = validate,
    .summary = "check definitions, and say everything that is wrong with them",
    .text =
        "One line per finding: FILE:LINE:COLUMN: what is wrong, and what would be right. A definition without\n"
        "findings prints nothing. With --json, one line of JSON per file. '-' is standard input.",
    .examples = "pawl validate examples/*.yaml",
    .exits = "0 no errors (there may be warnings); 2 errors; 3 system trouble",
};
// clang-format on
