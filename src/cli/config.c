/* config.c - `pawl config`: what the settings are, and where each comes from. */
#include "cli/settings.h"
#include "cli/table.h"

static int print_manual(cli_app *cli)
{
    char *text = NULL;
    pawl_error err;
    if (pawl_config_manual(&text, &err) != PAWL_OK)
        return cli_fail_error(cli, &err);
    out_text(text);
    pawl_free(text);
    return EXIT_DONE;
}

/* As it would be written in a file for people: text without its quotes. */
static pw_str plain(cli_app *cli, pw_value value)
{
    return pw_is(value, PW_STRING) ? cli_safe(&cli->arena, pw_text(value))
                                   : pw_json_text(&cli->arena, value, PW_JSON_COMPACT);
}

static int print_one(cli_app *cli, pw_value settings, const char *key)
{
    const char **keys = PW_NEW_ARRAY(&cli->arena, const char *, settings.count);
    for (uint32_t i = 0; i < settings.count; i++) {
        pw_value setting = pw_item(settings, i);
        pw_str name = pw_arena_str(&cli->arena, pw_get_text(setting, "key"));
        keys[i] = name.ptr;
        if (!pw_str_is(name, key))
            continue;
        if (cli->json) {
            out_json(setting, PW_JSON_COMPACT);
        } else {
            out_str(plain(cli, pw_get_lit(setting, "value")));
            out_text("\n");
        }
        return EXIT_DONE;
    }
    const char *near = pw_near(key, keys, settings.count);
    return near ? cli_fail(cli, EXIT_USAGE, "no key '%s': did you mean '%s'?", key, near)
                : cli_fail(cli, EXIT_USAGE, "no key '%s': `pawl config` lists them", key);
}

static void print_all(cli_app *cli, pw_value settings)
{
    table *t = PW_NEW(&cli->arena, table);
    for (uint32_t i = 0; i < settings.count; i++) {
        pw_value setting = pw_item(settings, i);
        table_put(t, 0, cli_safe(&cli->arena, pw_get_text(setting, "key")));
        table_put(t, 1, plain(cli, pw_get_lit(setting, "value")));
        table_put(t, 2, cli_safe(&cli->arena, pw_get_text(setting, "where")));
        t->rows++;
        if (t->rows < TABLE_ROWS)
            continue;
        table_print(t);
        t->rows = 0; /* the widths stay */
    }
    table_print(t);
}

static int config_command(cli_app *cli)
{
    const char *key = cli->positional_count > 0 ? cli->positionals[0] : NULL;
    const bool schema = cli_flag(cli, "schema"), manual = cli_flag(cli, "manual");
    if ((schema || manual) && (key || (schema && manual)))
        return cli_fail(cli, EXIT_USAGE, "--schema, --manual and a key contradict each other");
    if (schema) {
        pw_value value; /* printed as JSON is printed, for people to read */
        int code = cli_json_text(cli, "schema", pw_str_of(pawl_config_schema()), &value);
        if (code == EXIT_DONE)
            out_json(value, PW_JSON_PRETTY);
        return code;
    }
    if (manual)
        return print_manual(cli);
    pawl_config *config = NULL;
    int code = cli_settings(cli, &config, NULL);
    if (code != EXIT_DONE)
        return code;
    char *text = NULL;
    pawl_error err;
    pw_value all = { 0 };
    if (pawl_config_json(config, &text, &err) != PAWL_OK)
        code = cli_fail_error(cli, &err);
    else
        code = cli_json_text(cli, "settings", pw_str_of(text), &all);
    pw_value settings = pw_get_lit(all, "settings");
    if (code == EXIT_DONE && key)
        code = print_one(cli, settings, key);
    else if (code == EXIT_DONE && cli->json)
        out_json(all, PW_JSON_COMPACT);
    else if (code == EXIT_DONE)
        print_all(cli, settings);
    pawl_free(text);
    pawl_config_free(config);
    return code;
}

// clang-format off
static const cli_option config_options[] = {
    CLI_SETTINGS_OPTIONS,
    { "schema", NULL, NULL, "print the JSON Schema of a configuration file" },
    { "manual", NULL, NULL, "print the manual, doc/configuration.md" },
};

const cli_command command_config = {
    .name = "config", .positionals = "[KEY]", .least = 0, .most = 1, .has_store = true, .local = true, .group = CLI_GROUP_SERVER,
    .run = config_command, .options = config_options, .option_count = PW_LENGTH(config_options),
    .summary = "check the configuration, and print every setting and where it comes from",
    .text =
        "Reads what `pawl serve` with the same options would read: flags go before the environment (Section__Key), that\n"
        "before the file, that before the defaults. Every problem is printed with its key, value, place and what would\n"
        "be right. With a KEY prints its value alone. Passwords are not shown.",
    .examples = "pawl config --config pawl.yaml\npawl config Server:Listen\npawl config --schema > pawl.schema.json",
    .exits = "0 the configuration is good; 2 it is not, or no such key; 3 a file cannot be read",
};
// clang-format on
