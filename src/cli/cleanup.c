/* cleanup.c - `pawl cleanup`: what is old goes now. A request does it for some seconds; there are as many as it takes. */
#include "cli/cli.h"

static const char *const counts[] = { "instances", "events", "steps", "bulks", "rows", "bytesGiven" };
enum { COUNTS = 6 };

typedef struct totals {
    int64_t numbers[COUNTS];
    pw_array_builder files;
    pw_value last; /* answer */
} totals;

static void add_up(totals *t, pw_value answer)
{
    for (size_t i = 0; i < COUNTS; i++) {
        int64_t n = 0;
        (void)pw_integer(pw_get_lit(answer, counts[i]), &n);
        t->numbers[i] += n;
    }
    pw_value file = pw_get_lit(answer, "exported");
    if (pw_is(file, PW_STRING))
        pw_array_add(&t->files, file);
    t->last = answer;
}

static pw_value whole(cli_app *cli, totals *t)
{
    pw_value answer = t->last;
    for (size_t i = 0; i < COUNTS; i++)
        answer = pw_with(&cli->arena, answer, pw_str_of(counts[i]), pw_int(t->numbers[i]));
    return pw_with(&cli->arena, answer, PW_LIT("exported"), pw_array_end(&t->files));
}

static void print_when(const char *what, pw_value at)
{
    out_printf("  %-10s ", what);
    if (pw_is(at, PW_STRING))
        out_safe(pw_text(at));
    else
        out_text("never");
    out_text("\n");
}

static void print(cli_app *cli, pw_value answer)
{
    static const char *const words[] = { "instances", "events", "steps of logs", "bulk operations" };
    const bool dry = pw_truthy(pw_get_lit(answer, "dryRun")), stopped = pw_truthy(pw_get_lit(answer, "stopped"));
    pw_value limits = pw_get_lit(answer, "before"), files = pw_get_lit(answer, "exported");
    (void)cli;
    out_text(dry ? stopped ? "would delete at least (it was stopped before its end):\n" : "would delete:\n"
                 : stopped ? "deleted, until it was stopped:\n"
                           : "deleted:\n");
    for (size_t i = 0; i < PW_LENGTH(words); i++) {
        int64_t n = 0;
        (void)pw_integer(pw_get_lit(answer, counts[i]), &n);
        out_printf("  %8lld %s\n", (long long)n, words[i]);
    }
    out_text("what had ended, or happened, before:\n");
    print_when("instances", pw_get_lit(limits, "instances"));
    print_when("logs", pw_get_lit(limits, "steps"));
    for (uint32_t i = 0; i < files.count; i++) {
        out_text("exported to ");
        out_safe(pw_text(pw_item(files, i)));
        out_text("\n");
    }
    int64_t bytes = 0;
    (void)pw_integer(pw_get_lit(answer, "bytesGiven"), &bytes);
    if (bytes > 0)
        out_printf("%lld bytes given back to the file system\n", (long long)bytes);
}

static int cleanup(cli_app *cli)
{
    cli_session session = { .cli = cli };
    totals t = { .files = { .arena = &cli->arena } };
    pawl_error err;
    int code = session_open(&session);
    if (code != EXIT_DONE)
        return code;
    if (cli_value(cli, "set") && !session.p)
        code = cli_fail(cli, EXIT_USAGE, "--set: whoever owns the store does it, by its own settings");
    bool more = true;
    while (code == EXIT_DONE && more && !cli_interrupted()) {
        cli_request request;
        pw_value answer;
        request_begin(cli, &request, "cleanup");
        pw_object_add(&request, PW_LIT("dryRun"), pw_bool(cli_flag(cli, "dry-run")));
        if (session_call(&session, pw_object_end(&request), &answer, &err) != PAWL_OK) {
            code = cli_fail_error(cli, &err);
            break;
        }
        add_up(&t, answer);
        more = pw_truthy(pw_get_lit(answer, "stopped")) && !cli_flag(cli, "dry-run");
    }
    session_close(&session);
    if (code != EXIT_DONE)
        return code;
    if (cli->json)
        out_json(whole(cli, &t), PW_JSON_COMPACT);
    else
        print(cli, whole(cli, &t));
    return cli_interrupted() ? 128 + cli_interrupted() : EXIT_DONE;
}

// clang-format off
static const cli_option options[] = {
    { "dry-run", NULL, NULL, "only count what would go" },
    { "set", "KEY=VALUE", NULL, "one setting, as in Workflow:Cleanup:ExportPath=/backup; where nobody owns the store; may be repeated", .many = true },
};

const cli_command command_cleanup = {
    .name = "cleanup", .positionals = "", .least = 0, .most = 0, .has_store = true, .group = CLI_GROUP_SERVER, .run = cleanup,
    .options = options, .option_count = PW_LENGTH(options),
    .summary = "delete what is old, and give its room back",
    .text =
        "What the cleanup service does by itself every Workflow:Cleanup:RunInterval, now: instances that ended longer ago than\n"
        "CompletedWorkflowRetention go but for their log, and log rows that are older than ExecutionLogRetention. Nothing that has\n"
        "not ended, has an open incident, or an event that is not published, is touched. With ExportPath rows are written there\n"
        "before they are deleted. A process that owns the store does it beside its work; else it is done here.",
    .examples =
        "pawl cleanup --db sqlite:shop.db --dry-run\n"
        "pawl cleanup --db sqlite:shop.db --set Workflow:Cleanup:CompletedWorkflowRetention=7d",
    .exits = "0 done; 2 usage; 3 store or system trouble; 130, 143 stopped by a signal: what went is gone",
};
// clang-format on
