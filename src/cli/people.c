/* people.c - `pawl tasks`, `complete`, `claim`, `release`, `delegate`, `comment`: what people have
 * to do, and what they do about it; and `pawl bookmarks`, all that instances wait for. */
#include <stdio.h>

#include "cli/table.h"

enum { TITLE_WIDTH = 40, KEY_WIDTH = 40 };

/* ---- lists */

static pw_str cell(pw_arena *arena, pw_value row, const char *member)
{
    return cli_safe(arena, pw_get_text(row, member));
}

static pw_str short_cell(cli_app *cli, pw_value row, const char *member, size_t width)
{
    return cli_safe(&cli->arena, cli_cut(cli, pw_get_text(row, member), width));
}

static pw_str workflow_of(pw_arena *arena, pw_value row)
{
    return cli_safe(arena,
                    pw_arena_printf(arena, PW_FMT "/" PW_FMT, PW_ARG(pw_get_text(row, "namespace")),
                                    PW_ARG(pw_get_text(row, "name"))));
}

/* Who has it: its claim goes before its assignee. */
static pw_str holder(pw_arena *arena, pw_value row)
{
    pw_str claimed = pw_get_text(row, "claimedBy"), assigned = pw_get_text(row, "assignedTo");
    if (claimed.len > 0)
        return cli_safe(arena, pw_arena_printf(arena, PW_FMT " (claimed)", PW_ARG(claimed)));
    return assigned.len > 0 ? cli_safe(arena, assigned) : PW_LIT("-");
}

static void print_tasks(cli_app *cli, pw_value page)
{
    static const char *const heads[] = { "INSTANCE", "KEY",      "TITLE",   "PRIORITY",
                                         "DUE",      "ASSIGNED", "WORKFLOW" };
    pw_arena *arena = &cli->arena;
    pw_value list = pw_get_lit(page, "bookmarks");
    table *t = table_new(arena, heads, PW_LENGTH(heads));
    for (uint32_t i = 0; i < list.count && t->rows < TABLE_ROWS; i++, t->rows++) {
        pw_value task = pw_item(list, i);
        int64_t priority = 0;
        pw_str due = cell(arena, task, "dueAt");
        table_put(t, 0, cell(arena, task, "instance"));
        table_put(t, 1, cell(arena, task, "key"));
        table_put(t, 2, short_cell(cli, task, "title", TITLE_WIDTH));
        table_put(t, 3,
                  pw_integer(pw_get_lit(task, "priority"), &priority)
                      ? pw_arena_printf(arena, "%lld", (long long)priority)
                      : PW_LIT("-"));
        table_put(t, 4, due.len ? due : PW_LIT("-"));
        table_put(t, 5, holder(arena, task));
        table_put(t, 6, workflow_of(arena, task));
    }
    if (list.count == 0)
        cli_note("pawl tasks: none");
    else
        table_print(t);
    cli_say_more(cli, page);
}

static void print_bookmarks(cli_app *cli, pw_value page)
{
    static const char *const heads[] = { "INSTANCE", "KEY",     "KIND",    "TASK",
                                         "DUE",      "CREATED", "WORKFLOW" };
    pw_arena *arena = &cli->arena;
    pw_value list = pw_get_lit(page, "bookmarks");
    table *t = table_new(arena, heads, PW_LENGTH(heads));
    for (uint32_t i = 0; i < list.count && t->rows < TABLE_ROWS; i++, t->rows++) {
        pw_value bookmark = pw_item(list, i);
        pw_str due = cell(arena, bookmark, "dueAt");
        table_put(t, 0, cell(arena, bookmark, "instance"));
        table_put(t, 1, short_cell(cli, bookmark, "key", KEY_WIDTH));
        table_put(t, 2, cell(arena, bookmark, "kind"));
        table_put(t, 3, cell(arena, bookmark, "task"));
        table_put(t, 4, due.len ? due : PW_LIT("-"));
        table_put(t, 5, cell(arena, bookmark, "createdAt"));
        table_put(t, 6, workflow_of(arena, bookmark));
    }
    if (list.count == 0)
        cli_note("pawl bookmarks: none are open");
    else
        table_print(t);
    cli_say_more(cli, page);
}

static int ask_for_list(cli_app *cli, cli_request *request,
                        void (*print)(cli_app *cli, pw_value page))
{
    uint64_t limit = 0;
    if (!cli_number(cli, "limit", 1, 1000, 100, &limit))
        return EXIT_USAGE;
    request_option(cli, request, "name");
    request_option(cli, request, "instance");
    request_option(cli, request, "after");
    request_texts(cli, request, "namespaces", "namespace");
    request_add(request, "limit", pw_int((int64_t)limit));
    return cli_ask(cli, CLI_LOOK, pw_object_end(request), print);
}

/* A server knows who asks; a store is told. */
static int tasks(cli_app *cli)
{
    const char *person = cli_value(cli, "person");
    bool all = cli_flag(cli, "all"), groups = cli_value(cli, "group") != NULL;
    if (all && (person || groups))
        return cli_fail(cli, EXIT_USAGE, "--all contradicts --person and --group");
    if (cli->server && groups && !person)
        return cli_fail(
            cli, EXIT_USAGE,
            "--group: the server knows your groups by your token; it is for --person NAME");
    cli_request request;
    request_begin(cli, &request, "tasks");
    if (all)
        request_add(&request, "everybody", pw_bool(true));
    else
        request_text(&request, "person", person || cli->server ? person : cli_actor(cli));
    request_texts(cli, &request, "inGroups", "group");
    return ask_for_list(cli, &request, print_tasks);
}

static int bookmarks(cli_app *cli)
{
    cli_request request;
    request_begin(cli, &request, "bookmarks");
    request_option(cli, &request, "kind");
    return ask_for_list(cli, &request, print_bookmarks);
}

/* ---- what is done about one of them */

static void print_change(cli_app *cli, pw_value task)
{
    const char *command = cli->command->name;
    pw_str until = pw_get_text(task, "claimedUntil");
    out_safe(pw_str_of(cli->positionals[0]));
    out_text(" ");
    out_safe(pw_str_of(cli->positionals[1]));
    if (strcmp(command, "claim") == 0) {
        out_text(" is claimed by ");
        out_safe(pw_get_text(task, "claimedBy"));
        out_text(until.len ? " until " : "");
        out_safe(until);
    } else if (strcmp(command, "release") == 0) {
        out_text(" is released");
    } else if (strcmp(command, "delegate") == 0) {
        out_text(" is assigned to ");
        out_safe(pw_get_text(task, "assignedTo"));
    } else if (strcmp(command, "comment") == 0) {
        out_text(" has a comment more");
    } else {
        out_text(pw_truthy(pw_get_lit(task, "repeated"))
                     ? " was completed before, with the same data"
                     : " is completed");
    }
    out_text("\n");
}

static int act(cli_app *cli)
{
    cli_request request;
    uint64_t lease = 0;
    const char *until = cli_value(cli, "until");
    request_begin(cli, &request, cli->command->name);
    request_text(&request, "id", cli->positionals[0]);
    request_text(&request, "key", cli->positionals[1]);
    request_option(cli, &request, "to");
    request_option(cli, &request, "text");
    pw_value data;
    int code = cli_json_option(cli, "data", &data);
    if (code == EXIT_DONE && until)
        code = cli_until(cli, &until);
    if (code == EXIT_DONE)
        code = request_who(cli, &request);
    if (code != EXIT_DONE)
        return code;
    request_add(&request, "data", data);
    if (!cli_time(cli, "lease", 0, &lease))
        return EXIT_USAGE;
    if (lease > 0)
        request_add(&request, "leaseMs", pw_int((int64_t)lease));
    cli_session session = { .cli = cli };
    if ((code = session_open(&session)) != EXIT_DONE)
        return code;
    pw_value answer;
    pawl_error err;
    if (session_call(&session, pw_object_end(&request), &answer, &err) != PAWL_OK) {
        code = cli_fail_error(cli, &err);
    } else if (until) {
        code = cli_drive(&session, answer, until, false);
    } else {
        if (cli->json)
            out_json(answer, PW_JSON_COMPACT);
        else
            print_change(cli, answer);
        if (!cli_flag(cli, "no-wait"))
            session_drain(&session);
    }
    session_close(&session);
    return code;
}

/* Text and person are needed, and stand in options for they may be long or begin with a dash. */
static int delegate(cli_app *cli)
{
    return cli_value(cli, "to") ? act(cli) : cli_fail(cli, EXIT_USAGE, "--to NAME is missing");
}

static int comment(cli_app *cli)
{
    return cli_value(cli, "text") ? act(cli) : cli_fail(cli, EXIT_USAGE, "--text TEXT is missing");
}

// clang-format off
#define LIST_OPTIONS                                                                                    \
    { "name", "NAME", NULL, "only of this definition: name or namespace/name" },                        \
    { "namespace", "NAMESPACE", NULL, "only of definitions in it; may be repeated", .many = true },     \
    { "instance", "ID", NULL, "only of this instance" },                                                \
    { "limit", "N", NULL, "rows of one page; 100" },                                                    \
    { "after", "CURSOR", NULL, "the page behind; the page before names it" }
#define CHANGE_OPTIONS CLI_ACTOR("does it"), CLI_KEY, CLI_IF_TOKEN
#define NO_WAIT { "no-wait", NULL, NULL, "end as soon as it is committed" }
#define CHANGE_EXITS "0 done; 2 usage, no such task, not yours, or answered before; 3 store or system trouble"

static const cli_option tasks_options[] = {
    { "person", "NAME", NULL, "whose tasks; else yours: those of the user's name, at a server of your token" },
    { "group", "NAME", NULL, "that the person is a member of; may be repeated", .many = true },
    { "all", NULL, NULL, "of whoever may do them" },
    LIST_OPTIONS,
};
static const cli_option bookmarks_options[] = {
    { "kind", "KIND", NULL, "only these: user-action, timer, external-message, child", "user-action timer external-message child" },
    LIST_OPTIONS,
};
static const cli_option complete_options[] = {
    { "data", "JSON", NULL, "the answer: JSON, or @FILE, or @- for standard input; else null" },
    CHANGE_OPTIONS,
    { "until", "WHAT", NULL, "drive the instance until it is idle, settled or at its end, and say where it is", "idle settled end" },
    NO_WAIT,
};
static const cli_option claim_options[] = {
    { "lease", "TIME", NULL, "for so long; else until it is released or completed" }, CHANGE_OPTIONS, NO_WAIT,
};
static const cli_option release_options[] = { CHANGE_OPTIONS, NO_WAIT };
static const cli_option delegate_options[] = {
    { "to", "NAME", NULL, "who shall do it; required" }, CHANGE_OPTIONS, NO_WAIT,
};
static const cli_option comment_options[] = {
    { "text", "TEXT", NULL, "at most 4096 bytes; required" }, CHANGE_OPTIONS, NO_WAIT,
};

const cli_command command_tasks = {
    .name = "tasks", .positionals = "", .least = 0, .most = 0, .has_store = true, .group = CLI_GROUP_PEOPLE, .run = tasks,
    .options = tasks_options, .option_count = PW_LENGTH(tasks_options),
    .summary = "list what a person has to do, the most urgent first",
    .text =
        "A person may do what is assigned to it; what is assigned to nobody, if it or one of its groups is a\n"
        "candidate; and what has neither assignee nor candidates. By priority, then by due date, then by age.\n"
        "Only looks: it works beside the process that owns the store.",
    .examples =
        "pawl tasks --person ada --group accounting --db sqlite:shop.db\n"
        "pawl tasks --server https://pawl.example:8443 --token-file ada.token",
    .exits = "0 done; 2 usage, or not allowed; 3 store or system trouble",
};
const cli_command command_complete = {
    .name = "complete", .positionals = "ID KEY", .least = 2, .most = 2, .has_store = true, .group = CLI_GROUP_PEOPLE, .run = act,
    .options = complete_options, .option_count = PW_LENGTH(complete_options),
    .summary = "answer a person's task, so that its instance goes on",
    .text =
        "The data becomes the output of the task; if its form has a schema, it must fit that. The same data again\n"
        "is a success without effect; other data for a task that was answered is refused.",
    .examples = "pawl complete 01kaq0f3s7 approve-1 --data '{\"approved\": true}' --db sqlite:shop.db",
    .exits = CHANGE_EXITS ";\nwith --until what the instance's status means",
};
const cli_command command_claim = {
    .name = "claim", .positionals = "ID KEY", .least = 2, .most = 2, .has_store = true, .group = CLI_GROUP_PEOPLE, .run = act,
    .options = claim_options, .option_count = PW_LENGTH(claim_options),
    .summary = "take a task for yourself, so that nobody else answers it",
    .text = "Again by the same person it extends the time.",
    .examples = "pawl claim 01kaq0f3s7 approve-1 --lease 2h --db sqlite:shop.db",
    .exits = CHANGE_EXITS,
};
const cli_command command_release = {
    .name = "release", .positionals = "ID KEY", .least = 2, .most = 2, .has_store = true, .group = CLI_GROUP_PEOPLE, .run = act,
    .options = release_options, .option_count = PW_LENGTH(release_options),
    .summary = "give a claimed task back",
    .text = "Whoever may do the task may do it again.",
    .examples = "pawl release 01kaq0f3s7 approve-1 --db sqlite:shop.db",
    .exits = CHANGE_EXITS,
};
const cli_command command_delegate = {
    .name = "delegate", .positionals = "ID KEY", .least = 2, .most = 2, .has_store = true, .group = CLI_GROUP_PEOPLE, .run = delegate,
    .options = delegate_options, .option_count = PW_LENGTH(delegate_options),
    .summary = "assign a task to somebody else",
    .text = "From now on it is that person's alone; a claim ends.",
    .examples = "pawl delegate 01kaq0f3s7 approve-1 --to bob --db sqlite:shop.db",
    .exits = CHANGE_EXITS,
};
const cli_command command_comment = {
    .name = "comment", .positionals = "ID KEY", .least = 2, .most = 2, .has_store = true, .group = CLI_GROUP_PEOPLE, .run = comment,
    .options = comment_options, .option_count = PW_LENGTH(comment_options),
    .summary = "write a comment on a task into the log",
    .text = "`pawl log` shows it, with who wrote it.",
    .examples = "pawl comment 01kaq0f3s7 approve-1 --text 'asked for the invoice' --db sqlite:shop.db",
    .exits = CHANGE_EXITS,
};
const cli_command command_bookmarks = {
    .name = "bookmarks", .positionals = "", .least = 0, .most = 0, .has_store = true, .group = CLI_GROUP_INSTANCES, .run = bookmarks,
    .options = bookmarks_options, .option_count = PW_LENGTH(bookmarks_options),
    .summary = "list what instances wait for: people, messages, children",
    .text =
        "Those of people by urgency, if --kind user-action is given; else the oldest first. `pawl resume` answers one.\n"
        "Only looks: it works beside the process that owns the store.",
    .examples = "pawl bookmarks --kind external-message --db sqlite:shop.db",
    .exits = "0 done; 2 usage; 3 store or system trouble",
};
// clang-format on
