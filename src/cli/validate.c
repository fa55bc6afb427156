/* validate.c - `pawl validate`: every finding in every file, without a store. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/sarif.h"

#define DOCUMENT_MAX ((size_t)16 << 20)

typedef enum how { FORMAT_TEXT, FORMAT_JSON, FORMAT_SARIF } how;

typedef struct report {
    cli_app *cli;
    how format;
    const char *path;
    pw_str text;
    uint32_t errors;
    pw_array_builder findings; /* FORMAT_JSON */
    sarif *log;                /* FORMAT_SARIF */
} report;

static pw_value finding_object(pw_arena *arena, const pawl_finding *finding)
{
    return pw_object_of(
        arena,
        (pw_member[]){ { PW_LIT("line"), pw_int(finding->line) },
                       { PW_LIT("column"), pw_int(finding->column) },
                       { PW_LIT("error"), pw_bool(finding->is_error != 0) },
                       { PW_LIT("code"), pw_string_ref(pw_str_of(finding->code)) },
                       { PW_LIT("pointer"), pw_string(arena, pw_str_of(finding->pointer)) },
                       { PW_LIT("message"), pw_string(arena, pw_str_of(finding->message)) },
                       { PW_LIT("advice"), pw_string_ref(pw_str_of(finding->advice)) } },
        7);
}

static void on_finding(void *context, const pawl_finding *finding)
{
    report *to = context;
    if (finding->is_error)
        to->errors++;
    switch (to->format) {
    case FORMAT_JSON:
        pw_array_add(&to->findings, finding_object(&to->cli->arena, finding));
        return;
    case FORMAT_SARIF:
        sarif_result(to->log, to->path, to->text, finding);
        return;
    case FORMAT_TEXT:
        break;
    }
    /* A finding about the whole document is at its beginning: editors jump there. */
    out_safe(pw_str_of(to->path));
    out_printf(":%d:%d: %s", finding->line > 0 ? finding->line : 1,
               finding->column > 0 ? finding->column : 1, finding->is_error ? "" : "warning: ");
    out_safe(pw_str_of(finding->message));
    out_text("\n");
}

static int check(cli_app *cli, const char *path, how format, sarif *log)
{
    pw_str text;
    int code = cli_read_file(cli, path, DOCUMENT_MAX, &text);
    if (code != EXIT_DONE)
        return code;
    report to = { .cli = cli,
                  .format = format,
                  .path = strcmp(path, "-") == 0 ? "standard input" : path,
                  .text = text,
                  .findings.arena = &cli->arena,
                  .log = log };
    pawl_error err;
    pawl_code checked = cli_flag(cli, "portable")
                            ? pawl_validate_portable(text.ptr, text.len, on_finding, &to, &err)
                            : pawl_validate(text.ptr, text.len, on_finding, &to, &err);
    if (format == FORMAT_JSON && (checked == PAWL_OK || checked == PAWL_INVALID))
        out_json(pw_object_of(&cli->arena,
                              (pw_member[]){ { PW_LIT("file"), pw_string_ref(pw_str_of(to.path)) },
                                             { PW_LIT("valid"), pw_bool(checked == PAWL_OK) },
                                             { PW_LIT("findings"), pw_array_end(&to.findings) } },
                              3),
                 PW_JSON_COMPACT);
    if (checked == PAWL_OK)
        return EXIT_DONE;
    if (checked == PAWL_INVALID && to.errors > 0)
        return EXIT_USAGE;
    (void)pw_error_context(&err, checked, "%s", to.path);
    return cli_fail_error(cli, &err);
}

static int read_format(cli_app *cli, how *out)
{
    static const char *const names[] = { "text", "json", "sarif" };
    const char *given = cli_value(cli, "format");
    *out = cli->json ? FORMAT_JSON : FORMAT_TEXT;
    if (!given)
        return EXIT_DONE;
    for (size_t i = 0; i < PW_LENGTH(names); i++) {
        if (strcmp(given, names[i]) != 0)
            continue;
        if (cli->json && i != FORMAT_JSON)
            return cli_fail(cli, EXIT_USAGE, "--json and --format %s contradict each other", given);
        *out = (how)i;
        return EXIT_DONE;
    }
    return cli_fail(cli, EXIT_USAGE, "option '--format' is text, json or sarif, not '%s'", given);
}

static int validate(cli_app *cli)
{
    how format;
    int worst = read_format(cli, &format);
    if (worst != EXIT_DONE)
        return worst;
    sarif log = { .arena = &cli->arena, .results.arena = &cli->arena };
    bool all_read = true;
    for (uint32_t i = 0; i < cli->positional_count && !cli_interrupted(); i++) {
        uint32_t before = log.count;
        int code = check(cli, cli->positionals[i], format, &log);
        if (code > worst)
            worst = code;
        all_read = all_read && (code == EXIT_DONE || log.count > before);
    }
    if (format == FORMAT_SARIF)
        out_json(sarif_end(&log, all_read && !cli_interrupted()), PW_JSON_PRETTY);
    return worst;
}

// clang-format off
static const cli_option options[] = {
    { "format", "FORMAT", NULL, "text (the default), json (one line per file), sarif (one SARIF 2.1.0 log of all files)" },
    { "portable", NULL, NULL, "warn of what only this engine understands, too" },
};

const cli_command command_validate = {
    .name = "validate", .positionals = "FILE...", .least = 1, .most = UINT32_MAX, .has_store = false,
    .run = validate, .options = options, .option_count = PW_LENGTH(options),
    .summary = "check definitions, and say everything that is wrong with them",
    .text =
        "One line per finding: FILE:LINE:COLUMN: what is wrong, and what would be right. A definition without\n"
        "findings prints nothing. With --json, one line of JSON per file. '-' is standard input.",
    .examples =
        "pawl validate examples/*.yaml\n"
        "pawl validate --format sarif order.yaml > order.sarif",
    .exits = "0 no errors (there may be warnings); 2 errors; 3 system trouble",
};
// clang-format on
