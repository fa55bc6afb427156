/* act.c - what is done about what went wrong: `pawl retry`, `skip`, `goto`, `edit`, `fail`,
 * `compensate`, `rewind`, `fork`. All of one form: the options become members of a command, which
 * is one commit, and with --dry-run none. */
#include "cli/cli.h"

/* ---- members of the command */

/* An option that a command does not know cannot have been given. */
static int add_json(cli_app *cli, cli_request *request, const char *name)
{
    pw_value v;
    int code = cli_json_option(cli, name, &v);
    if (code == EXIT_DONE)
        request_add(request, name, v);
    return code;
}

/* POINTER=JSON as an operation of a patch. A member is set whether it was there or not; an element
 * is replaced, for an `add` would put the new one before it. */
static int add_operation(cli_app *cli, pw_array_builder *patch, const char *given)
{
    const char *equals = strchr(given, '='), *last = strrchr(given, '/');
    if (!equals || given[0] != '/')
        return cli_fail(cli, EXIT_USAGE,
                        "option '--set' is POINTER=JSON, such as /context/amount=5, not '%s'",
                        given);
    pw_str pointer = { given, (size_t)(equals - given) };
    while (last > equals)
        last = memrchr(given, '/', (size_t)(last - given));
    size_t rest = (size_t)(equals - last) - 1;
    bool element = rest > 0 && strspn(last + 1, "0123456789") == rest;
    pw_str what = pw_arena_printf(&cli->arena, "--set " PW_FMT, PW_ARG(pointer));
    pw_value v;
    int code = cli_json_given(cli, what.ptr, equals + 1, &v);
    if (code == EXIT_DONE)
        pw_array_add(
            patch,
            pw_object_of(&cli->arena,
                         (pw_member[]){ { PW_LIT("op"),
                                          pw_string_ref(pw_str_of(element ? "replace" : "add")) },
                                        { PW_LIT("path"), pw_string_ref(pointer) },
                                        { PW_LIT("value"), v } },
                         3));
    return code;
}

static int add_patch(cli_app *cli, cli_request *request)
{
    bool sets = cli_flag(cli, "set");
    if (sets == cli_flag(cli, "patch"))
        return cli_fail(cli, EXIT_USAGE,
                        sets ? "--patch and --set contradict each other"
                             : "what is to be edited? Give --set POINTER=JSON, or --patch JSON");
    if (!sets) {
        pw_value patch;
        int code = cli_json_option(cli, "patch", &patch);
        if (code == EXIT_DONE && !pw_is(patch, PW_ARRAY))
            return cli_fail(cli, EXIT_USAGE,
                            "--patch: a JSON Patch is an array of operations, not %s",
                            pw_type_name(patch));
        request_add(request, "patch", patch);
        return code;
    }
    pw_array_builder patch = { .arena = &cli->arena };
    for (uint32_t i = 0; i < cli->given_count; i++) {
        int code = strcmp(cli->given[i].name, "set") == 0
                       ? add_operation(cli, &patch, cli->given[i].value)
                       : EXIT_DONE;
        if (code != EXIT_DONE)
            return code;
    }
    request_add(request, "patch", pw_array_end(&patch));
    return EXIT_DONE;
}

/* Where an instance goes back to, or another begins. */
static int add_place(cli_app *cli, cli_request *request)
{
    bool step = cli_flag(cli, "step"), visit = cli_flag(cli, "visit");
    uint64_t number = 0;
    if (step == visit)
        return cli_fail(cli, EXIT_USAGE, "%s: `pawl log ID` lists both",
                        step ? "--step and --visit contradict each other"
                             : "--step N or --visit N is missing");
    if (step && cli_flag(cli, "input"))
        return cli_fail(cli, EXIT_USAGE,
                        "--input is for the task of a visit: give --visit instead of --step");
    if (!cli_number(cli, step ? "step" : "visit", 1, INT64_MAX, 0, &number))
        return EXIT_USAGE;
    request_add(request, step ? "step" : "visit", pw_int((int64_t)number));
    return EXIT_DONE;
}

/* What several of them know. */
static int begin(cli_app *cli, cli_request *request)
{
    request_begin(cli, request, cli->command->name);
    request_text(request, "id", cli->positionals[0]);
    request_option(cli, request, "reason");
    if (cli_flag(cli, "confirm"))
        request_add(request, "confirm", pw_bool(true));
    int code = add_json(cli, request, "input");
    if (code == EXIT_DONE)
        code = add_json(cli, request, "output");
    return code == EXIT_DONE ? request_who(cli, request) : code;
}

/* ---- the commands */

static int act(cli_app *cli)
{
    const cli_command *command = cli->command;
    const char *until = NULL;
    cli_request request;
    int code = cli_until(cli, &until);
    if (code == EXIT_DONE)
        code = begin(cli, &request);
    if (code == EXIT_DONE && command == &command_goto)
        request_text(&request, "task", cli->positionals[1]);
    if (code == EXIT_DONE && command == &command_edit)
        code = add_patch(cli, &request);
    if (code == EXIT_DONE && (command == &command_rewind || command == &command_fork))
        code = add_place(cli, &request);
    if (code == EXIT_DONE && command == &command_fork) {
        request_option(cli, &request, "key");
        code = request_pairs(cli, &request, "labels", "label");
    }
    bool done_is_done = command == &command_edit || command == &command_fail;
    return code == EXIT_DONE ? cli_change(cli, &request, until, done_is_done) : code;
}

/* Looking at the plan knows no other option of the command. */
static int show_plan(cli_app *cli)
{
    uint64_t limit = 0;
    for (uint32_t i = 0; i < command_compensate.option_count; i++) {
        const char *name = command_compensate.options[i].name;
        bool its =
            strcmp(name, "plan") == 0 || strcmp(name, "limit") == 0 || strcmp(name, "after") == 0;
        if (!its && cli_flag(cli, name))
            return cli_fail(cli, EXIT_USAGE, "--plan only looks: --%s is for carrying it out",
                            name);
    }
    if (!cli_number(cli, "limit", 1, 1000, 100, &limit))
        return EXIT_USAGE;
    cli_request request;
    request_begin(cli, &request, "compensation");
    request_text(&request, "id", cli->positionals[0]);
    request_option(cli, &request, "after");
    request_add(&request, "limit", pw_int((int64_t)limit));
    return cli_ask(cli, CLI_LOOK, pw_object_end(&request), print_plan);
}

static int compensate(cli_app *cli)
{
    if (cli_flag(cli, "plan"))
        return show_plan(cli);
    if (cli_flag(cli, "limit") || cli_flag(cli, "after"))
        return cli_fail(cli, EXIT_USAGE, "--limit and --after are for --plan");
    return act(cli);
}

// clang-format off
#define CONFIRM { "confirm", NULL, NULL, "although a call may have had its effect whose outcome nobody knows" }
#define HOW CLI_REASON, CLI_DRY_RUN, CLI_ACTOR("does it"), CLI_KEY, CLI_IF_TOKEN, CLI_UNTIL, CLI_NO_WAIT
#define PLACE                                                                                          \
    { "step", "N", NULL, "behind this step of the log" },                                              \
    { "visit", "N", NULL, "instead: to where the task of this visit was about to begin" },             \
    { "input", "JSON", NULL, "with --visit: for its task, instead of its own: JSON, or @FILE, or @-" }

static const cli_option retry_options[] = {
    { "input", "JSON", NULL, "for the task, instead of its own: JSON, or @FILE, or @- for standard input" }, CONFIRM, HOW,
};
static const cli_option skip_options[] = {
    { "output", "JSON", NULL, "as if the task had given it: JSON, or @FILE, or @- for standard input" }, CONFIRM, HOW,
};
static const cli_option goto_options[] = {
    { "input", "JSON", NULL, "for TASK; else that of what has faulted: JSON, or @FILE, or @- for standard input" }, CONFIRM, HOW,
};
static const cli_option edit_options[] = {
    { "set", "POINTER=JSON", NULL, "this member or element becomes that: /context/amount=5; may be repeated", .many = true },
    { "patch", "JSON", NULL, "a JSON Patch (RFC 6902): JSON, or @FILE, or @- for standard input" }, HOW,
};
static const cli_option fail_options[] = {
    CLI_REASON, CLI_DRY_RUN, CLI_ACTOR("does it"), CLI_KEY, CLI_IF_TOKEN, CLI_NO_WAIT,
};
static const cli_option compensate_options[] = {
    { "plan", NULL, NULL, "only look: what would be undone, and what became of what was" },
    { "limit", "N", NULL, "with --plan: steps of one page; 100" },
    { "after", "CURSOR", NULL, "with --plan: the page behind; the page before names it" }, HOW,
};
static const cli_option rewind_options[] = { PLACE, CONFIRM, HOW };
static const cli_option fork_options[] = {
    PLACE,
    { "key", "KEY", NULL, "business key of the new instance" },
    { "label", "NAME=VALUE", NULL, "of the new one, instead of those of the other; may be repeated", .many = true }, CONFIRM, HOW,
};

const cli_command command_retry = {
    .name = "retry", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INCIDENTS, .run = act,
    .options = retry_options, .option_count = PW_LENGTH(retry_options),
    .summary = "try again what has failed, and drive it",
    .text =
        "ID is an incident's, or an instance's. What has faulted begins again with its first attempt, and calls go with\n"
        "the same idempotency key; the incident is over. An instance that lives and waits for its next attempt makes it\n"
        "now. Refused when there is nothing to retry, when the incident that ID names is over, and, without --confirm,\n"
        "when nobody knows whether the attempt before had its effect. --input is checked against the task's schema first.",
    .examples =
        "pawl retry 01kaq0f3s7 --reason 'the service is back' --db sqlite:shop.db\n"
        "pawl retry 01kaq0f3s7 --input '{\"amount\": 5}' --dry-run",
};

const cli_command command_skip = {
    .name = "skip", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INCIDENTS, .run = act,
    .options = skip_options, .option_count = PW_LENGTH(skip_options),
    .summary = "let what has failed be over without having been done",
    .text =
        "ID is an incident's, or an instance's. With --output it is as if the task had given that: output.as, export and\n"
        "the schemas follow, and what they refuse is refused. Without, it is as if its `if` were false: its input goes on.\n"
        "Nothing is called. A call whose outcome nobody knows is left behind only with --confirm.",
    .examples =
        "pawl skip 01kaq0f3s7 --reason 'paid in cash' --db sqlite:shop.db\n"
        "pawl skip 01kaq0f3s7 --output '{\"receipt\": \"R-17\"}'",
};

const cli_command command_goto = {
    .name = "goto", .positionals = "ID TASK", .least = 2, .most = 2, .has_store = true, .group = CLI_GROUP_INCIDENTS, .run = act,
    .options = goto_options, .option_count = PW_LENGTH(goto_options),
    .summary = "let another task be next in place of what has failed",
    .text =
        "ID is an incident's, or an instance's; TASK is the JSON pointer of a task in the list of what has failed, or in one\n"
        "of those around it. What else is open in there is closed. Calls of TASK go with keys of their own, also when it\n"
        "was done before: what it did then is not undone.",
    .examples = "pawl goto 01kaq0f3s7 /do/3/byHand --reason 'the service is gone' --db sqlite:shop.db",
};

const cli_command command_edit = {
    .name = "edit", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INCIDENTS, .run = act,
    .options = edit_options, .option_count = PW_LENGTH(edit_options),
    .summary = "change the data of an instance",
    .text =
        "The data are what `pawl show` prints as such: /context, and, if an incident is open, /input, that of the task that\n"
        "has failed. --set gives a member its value, whether it was there or not, and an element another one; what it\n"
        "cannot say, --patch can. All of it is done, or nothing. The incident stays open: `pawl retry` goes on.",
    .examples =
        "pawl edit 01kaq0f3s7 --set /input/amount=5 --set '/context/by=\"ann\"' --db sqlite:shop.db\n"
        "pawl edit 01kaq0f3s7 --patch '[{\"op\": \"remove\", \"path\": \"/context/draft\"}]' --dry-run",
    .exits = "0 done; 2 usage, no such instance, or the data cannot be so; 3 store or system trouble",
};

const cli_command command_fail = {
    .name = "fail", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INCIDENTS, .run = act,
    .options = fail_options, .option_count = PW_LENGTH(fail_options),
    .summary = "give an incident up: its instance stays faulted for good",
    .text =
        "ID is an incident's, or an instance's. What the instance still waits for is closed, and it can be deleted. What it\n"
        "has done is not undone; `pawl compensate` may still do that. Harmless when repeated; refused when no incident\n"
        "is open.",
    .examples = "pawl fail 01kaq0f3s7 --reason 'ordered again by telephone' --db sqlite:shop.db",
    .exits = "0 given up; 2 no such instance, or no incident is open; 3 store or system trouble",
};

const cli_command command_compensate = {
    .name = "compensate", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INCIDENTS, .run = compensate,
    .options = compensate_options, .option_count = PW_LENGTH(compensate_options),
    .summary = "undo what an instance has done, or show what that would be",
    .text =
        "What it still does is let go, and what it has done is undone by what the definition says for it, in reverse\n"
        "order. Of an instance in any status, as long as something is left. --plan shows the steps before, meanwhile and\n"
        "after, in the order in which they run, and what has no compensation. What fails on the way is an incident; retry\n"
        "or skip it, and the rest goes on. Killed and started again it goes on where it was.",
    .examples =
        "pawl compensate --plan 01kaq0f3s7 --db sqlite:shop.db\n"
        "pawl compensate 01kaq0f3s7 --reason 'the customer withdrew' --db sqlite:shop.db",
    .exits =
        "0 compensated, or the plan is shown; 1 faulted: an incident on the way; 2 usage, no such instance, or nothing is\n"
        "left to undo; 3 store or system trouble; 4 it is not at its end yet",
};

const cli_command command_rewind = {
    .name = "rewind", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INCIDENTS, .run = act,
    .options = rewind_options, .option_count = PW_LENGTH(rewind_options),
    .summary = "let an instance go on from an earlier step",
    .text =
        "Its data and its place become those behind that step of the log, or before that visit of a task; what it waits for\n"
        "now is closed. What was done outside since is named, and not undone; what is done again is done anew, with new\n"
        "keys. Also of an instance that has ended.",
    .examples =
        "pawl rewind 01kaq0f3s7 --visit 4 --dry-run --db sqlite:shop.db\n"
        "pawl rewind 01kaq0f3s7 --step 2 --reason 'the prices were wrong'",
};

const cli_command command_fork = {
    .name = "fork", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INCIDENTS, .run = act,
    .options = fork_options, .option_count = PW_LENGTH(fork_options),
    .summary = "start a new instance that begins where another one was",
    .text =
        "As `pawl rewind`, but the instance ID stays as it is. What it did outside is named, and not done again by the new\n"
        "one unless that comes to it again.",
    .examples = "pawl fork 01kaq0f3s7 --step 2 --key order-1002-again --db sqlite:shop.db",
};
// clang-format on
