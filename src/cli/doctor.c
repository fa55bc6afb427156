/* doctor.c - `pawl doctor`, `pawl health`, `pawl why`: what is wrong, how the parts are, and why one instance does not move. */
#include <stdio.h>

#include "cli/table.h"

/* One command of a look, whose answer also says how to exit. */
static int ask(cli_app *cli, pw_value request, int (*say)(cli_app *cli, pw_value answer))
{
    cli_session session = { .cli = cli, .look = true, .ask_owner = true };
    cli_hear_signals(0); /* it only looks */
    int code = session_open(&session);
    if (code != EXIT_DONE)
        return code;
    pw_value answer;
    pawl_error err;
    if (session_call(&session, request, &answer, &err) != PAWL_OK)
        code = cli_fail_error(cli, &err);
    else
        code = say(cli, answer);
    session_close(&session);
    return code;
}

static void line(const char *name, pw_str text)
{
    if (!text.len)
        return;
    out_printf("  %-8s", name);
    out_safe(text);
    out_text("\n");
}

/* ------------------------------------------------------------------ what is wrong */

static void print_finding(pw_value finding)
{
    pw_str instance = pw_get_text(finding, "instance");
    out_safe(pw_get_text(finding, "level"));
    out_text(" ");
    out_safe(pw_get_text(finding, "kind"));
    if (instance.len) {
        out_text(" ");
        out_safe(instance);
    }
    out_text(": ");
    out_safe(pw_get_text(finding, "what"));
    out_text("\n");
    line("task", pw_get_text(finding, "task"));
    line("since", pw_get_text(finding, "since"));
    line("cause", pw_get_text(finding, "cause"));
    line("remedy", pw_get_text(finding, "remedy"));
}

static int64_t sum(pw_value object)
{
    int64_t all = 0;
    for (uint32_t i = 0; pw_is(object, PW_OBJECT) && i < object.count; i++) {
        int64_t n = 0;
        (void)pw_integer(pw_members(object)[i].value, &n);
        all += n;
    }
    return all;
}

static int say_findings(cli_app *cli, pw_value answer)
{
    const pw_value findings = pw_get_lit(answer, "findings");
    const uint32_t count = pw_is(findings, PW_ARRAY) ? findings.count : 0;
    const int code = count ? EXIT_FAULTED : EXIT_DONE;
    int64_t more = 0;
    if (cli->json) {
        out_json(answer, PW_JSON_COMPACT);
        return code;
    }
    for (uint32_t i = 0; i < count; i++)
        print_finding(pw_item(findings, i));
    if (pw_integer(pw_get_lit(answer, "more"), &more) && more > 0)
        cli_note("pawl doctor: there are %lld more of these kinds", (long long)more);
    if (!pw_is(pw_get_lit(answer, "partial"), PW_NONE))
        cli_note("pawl doctor: the store is too large to be looked at whole at once; the auditor goes on with it, round by round");
    if (!pw_get_text(answer, "at").len)
        cli_note("pawl doctor: the auditor has not been round yet");
    else if (count == 0)
        out_printf("nothing is wrong: %lld rows looked at\n", (long long)sum(pw_get_lit(answer, "checked")));
    return code;
}

static int doctor(cli_app *cli)
{
    cli_request request;
    request_begin(cli, &request, "audit");
    if (cli_flag(cli, "last"))
        request_add(&request, "last", pw_bool(true));
    return ask(cli, pw_object_end(&request), say_findings);
}

/* ------------------------------------------------------------------ how the parts are */

static pw_str number(cli_app *cli, pw_value row, const char *member)
{
    int64_t n = 0;
    return pw_integer(pw_get(row, pw_str_of(member)), &n) ? pw_arena_printf(&cli->arena, "%lld", (long long)n) : PW_LIT("-");
}

static pw_str or_dash(cli_app *cli, pw_str text)
{
    return text.len ? cli_safe(&cli->arena, text) : PW_LIT("-");
}

static void print_components(cli_app *cli, pw_value list)
{
    static const char *const heads[] = { "COMPONENT", "STATUS", "LAST RUN", "ROUNDS", "FAILED", "BACKLOG", "LAST ERROR" };
    table *t = table_new(&cli->arena, heads, PW_LENGTH(heads));
    for (uint32_t i = 0; pw_is(list, PW_ARRAY) && i < list.count && t->rows < TABLE_ROWS; i++) {
        const pw_value row = pw_item(list, i);
        table_put(t, 0, or_dash(cli, pw_get_text(row, "name")));
        table_put(t, 1, or_dash(cli, pw_get_text(row, "status")));
        table_put(t, 2, or_dash(cli, pw_get_text(row, "lastRun")));
        table_put(t, 3, number(cli, row, "rounds"));
        table_put(t, 4, number(cli, row, "failedRounds"));
        table_put(t, 5, number(cli, row, "backlog"));
        table_put(t, 6, or_dash(cli, cli_cut(cli, pw_get_text(row, "lastError"), 60)));
        t->rows++;
    }
    if (t->rows > 1)
        table_print(t);
}

/* "store  up, 12288 bytes" */
static void print_part(cli_app *cli, const char *name, pw_value part, const char *const *members, size_t count)
{
    if (!pw_is(part, PW_OBJECT))
        return;
    out_printf("%-10s", name);
    out_safe(pw_get_text(part, "status"));
    for (size_t i = 0; i < count; i++)
        if (!pw_is(pw_get(part, pw_str_of(members[i])), PW_NONE))
            out_printf("  %s " PW_FMT, members[i], PW_ARG(number(cli, part, members[i])));
    out_text("\n");
    line("error", pw_get_text(part, "error"));
}

static int say_health(cli_app *cli, pw_value answer)
{
    static const char *const of_store[] = { "schema", "bytes", "freeBytes", "walBytes" }, *const of_disk[] = { "freeBytes", "bytes" };
    pw_str status = pw_get_text(answer, "status");
    const int code = pw_str_is(status, "up") ? EXIT_DONE : EXIT_FAULTED;
    int64_t findings = 0;
    if (cli->json) {
        out_json(answer, PW_JSON_COMPACT);
        return code;
    }
    (void)pw_integer(pw_get_lit(answer, "findings"), &findings);
    out_printf("%-10s", "status");
    out_safe(status);
    out_text("\n");
    print_part(cli, "store", pw_get_lit(answer, "store"), of_store, PW_LENGTH(of_store));
    print_part(cli, "disk", pw_get_lit(answer, "disk"), of_disk, PW_LENGTH(of_disk));
    out_printf("%-10s%lld%s\n", "findings", (long long)findings, findings ? ": pawl doctor says more" : "");
    print_components(cli, pw_get_lit(answer, "components"));
    return code;
}

static int health(cli_app *cli)
{
    cli_request request;
    request_begin(cli, &request, "components");
    return ask(cli, pw_object_end(&request), say_health);
}

/* ------------------------------------------------------------------ one instance */

static void print_answer(pw_value a)
{
    line("why", pw_get_text(a, "why"));
    line("moves", pw_get_text(a, "moves"));
    line("by", pw_get_text(a, "by"));
    line("at", pw_get_text(a, "at"));
    line("since", pw_get_text(a, "since"));
}

static void print_why(cli_app *cli, pw_value answer)
{
    (void)cli;
    const pw_value waits = pw_get_lit(answer, "waits"), findings = pw_get_lit(answer, "findings");
    out_safe(pw_get_text(answer, "id"));
    out_text("  ");
    out_safe(pw_get_text(answer, "namespace"));
    out_text("/");
    out_safe(pw_get_text(answer, "name"));
    out_text(" ");
    out_safe(pw_get_text(answer, "version"));
    out_text("  ");
    out_safe(pw_get_text(answer, "status"));
    out_text("\n");
    print_answer(answer);
    for (uint32_t i = 0; pw_is(waits, PW_ARRAY) && waits.count > 1 && i < waits.count; i++) {
        out_text("\n");
        out_safe(pw_get_text(pw_item(waits, i), "kind"));
        out_text(" ");
        out_safe(pw_get_text(pw_item(waits, i), "task"));
        out_text("\n");
        print_answer(pw_item(waits, i));
    }
    for (uint32_t i = 0; pw_is(findings, PW_ARRAY) && i < findings.count; i++) {
        out_text("\n");
        print_finding(pw_item(findings, i));
    }
}

static int why(cli_app *cli)
{
    cli_request request;
    request_begin(cli, &request, "why");
    request_text(&request, "id", cli->positionals[0]);
    return cli_ask(cli, CLI_ASK_OWNER, pw_object_end(&request), print_why);
}

// clang-format off
static const cli_option doctor_options[] = {
    { "last", NULL, NULL, "what the auditor of the owner found in its last rounds, instead of looking now" },
};

const cli_command command_doctor = {
    .name = "doctor", .positionals = "", .least = 0, .most = 0, .has_store = true, .group = CLI_GROUP_SERVER, .run = doctor,
    .options = doctor_options, .option_count = PW_LENGTH(doctor_options),
    .summary = "look for what must never be, and for what needs somebody, and say what to do about it",
    .text =
        "Goes through the rows of the store, and asks its owner, if there is one, what it is at: instances that wait and that\n"
        "nothing will wake, timers, messages, events and commands that nobody takes, gaps in logs, children without parents,\n"
        "calls that nobody makes; services that fail or do not go round, open breakers and incidents, jobs without workers.\n"
        "Each finding has its cause and its remedy. Only looks. Without an owner, what is only late is said once for all.",
    .examples =
        "pawl doctor --db sqlite:shop.db\n"
        "pawl doctor --last --json --server http://127.0.0.1:8080",
    .exits = "0 nothing found; 1 findings; 2 usage; 3 store or system trouble",
};

const cli_command command_health = {
    .name = "health", .positionals = "", .least = 0, .most = 0, .has_store = true, .group = CLI_GROUP_SERVER, .run = health,
    .summary = "how each part is: services, store, disk",
    .text =
        "For each background service of the owner: when it last went round, how often that failed and why, and what waits for\n"
        "it. Without an owner there are no services, and only store and disk are shown. Only looks.",
    .examples = "pawl health --db sqlite:shop.db",
    .exits = "0 all is up; 1 a part is degraded or down; 2 usage; 3 store or system trouble",
};

const cli_command command_why = {
    .name = "why", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INSTANCES, .run = why,
    .summary = "why an instance is where it is, what will move it, and when",
    .text =
        "One answer for the whole, and one for each thing that it waits for if there are several: why, what moves it, who can,\n"
        "and when that is at the latest. Asks the owner, who alone knows what is on its way. Only looks.",
    .examples = "pawl why 01kaq0f3s7 --db sqlite:shop.db",
    .exits = "0 done; 2 no such instance; 3 store or system trouble",
};
// clang-format on
