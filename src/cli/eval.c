/* eval.c - `pawl eval`: one expression, as a workflow would evaluate it. */
#include <stdio.h>

#include "cli/cli.h"

static void on_result(void *context, const char *json)
{
    (void)context;
    out_text(json);
    out_text("\n");
}

/* The --arg options as one object; PW_NONE: there are none. */
static int read_args(cli_app *cli, pw_value *out)
{
    pw_object_builder args = { .arena = &cli->arena };
    for (uint32_t i = 0; i < cli->given_count; i++) {
        const cli_given *given = &cli->given[i];
        if (strcmp(given->name, "arg") != 0)
            continue;
        pw_str name = pw_str_of(given->value);
        if (name.len > 0 && name.ptr[0] == '$')
            name = (pw_str){ name.ptr + 1, name.len - 1 };
        bool good = name.len > 0 && (name.ptr[0] < '0' || name.ptr[0] > '9');
        for (size_t c = 0; c < name.len && good; c++)
            good = (name.ptr[c] >= 'a' && name.ptr[c] <= 'z') || name.ptr[c] == '_' ||
                   (name.ptr[c] >= 'A' && name.ptr[c] <= 'Z') ||
                   (name.ptr[c] >= '0' && name.ptr[c] <= '9');
        if (!good)
            return cli_fail(
                cli, EXIT_USAGE,
                "--arg %s: a variable's name is letters, digits and '_', and no digit first",
                given->value);
        pw_str what = pw_arena_printf(&cli->arena, "--arg %s", given->value);
        pw_value value;
        int code = cli_json_text(cli, what.ptr, pw_str_of(given->value2), &value);
        if (code != EXIT_DONE)
            return code;
        pw_object_add(&args, name, value);
    }
    *out = args.count > 0 ? pw_object_end(&args) : (pw_value){ 0 };
    return EXIT_DONE;
}

static void error_object(cli_app *cli, const pawl_error *err)
{
    static const char type[] =
        "https://open-workflow-specification.org/spec/1.0.0/errors/expression";
    pw_arena *arena = &cli->arena;
    pw_str detail = pw_str_of(err->message);
    cli_error_object(pw_object_of(
        arena,
        (pw_member[]){
            { PW_LIT("type"), pw_string_ref(pw_str_of(type)) },
            { PW_LIT("status"), pw_int(400) },
            { PW_LIT("title"), pw_string_ref(PW_LIT("expression error")) },
            { PW_LIT("detail"),
              pw_string_ref(pw_utf8_valid(detail) ? detail : cli_safe(arena, detail)) } },
        4));
}

static int eval(cli_app *cli)
{
    pw_value input, args;
    int code = cli_json_option(cli, "input", &input);
    if (code == EXIT_DONE)
        code = read_args(cli, &args);
    if (code != EXIT_DONE)
        return code;
    const char *input_text =
        pw_is(input, PW_NONE) ? NULL : pw_json_text(&cli->arena, input, PW_JSON_COMPACT).ptr;
    const char *args_text =
        pw_is(args, PW_NONE) ? NULL : pw_json_text(&cli->arena, args, PW_JSON_COMPACT).ptr;
    pawl_error err;
    pawl_code evaluated =
        pawl_eval(cli->positionals[0], input_text, args_text, on_result, NULL, &err);
    if (evaluated == PAWL_OK)
        return EXIT_DONE;
    if (evaluated != PAWL_EXPRESSION)
        return cli_fail_error(cli, &err);
    error_object(cli, &err);
    return EXIT_FAULTED;
}

// clang-format off
static const cli_option options[] = {
    { "input", "JSON", NULL, "what `.` is: JSON, or @FILE, or @- for standard input; else null" },
    { "arg", "NAME", "JSON", "a variable: `--arg x 1` makes $x; may be repeated" },
};

const cli_command command_eval = {
    .name = "eval", .positionals = "EXPR", .least = 1, .most = 1, .has_store = false, .run = eval,
    .options = options, .option_count = PW_LENGTH(options),
    .summary = "evaluate a jq expression",
    .text =
        "As a workflow would: the same language, within the same limits. One result a line, as JSON. An error\n"
        "object of an expression that fails is on standard error, after the results so far.",
    .examples =
        "pawl eval '.items | map(.price * .count) | add' --input @order.json\n"
        "pawl eval '$x + 1' --arg x 41",
    .exits = "0 done; 1 the expression failed; 2 it does not compile, or the input is no JSON",
};
// clang-format on
