/* deadletter.c - `pawl deadletter`, `pawl sinks`: events that could not be published, what becomes
 * of them, and where events go. */
#include <stdio.h>

#include "cli/table.h"

enum { TYPE_WIDTH = 40, ERROR_WIDTH = 60, TARGET_WIDTH = 50 };

static pw_str cell(cli_app *cli, pw_value row, const char *member, size_t width)
{
    pw_str text = cli_safe(&cli->arena, cli_cut(cli, pw_get_text(row, member), width));
    return text.len ? text : PW_LIT("-");
}

static pw_str number(cli_app *cli, pw_value row, const char *member)
{
    int64_t n = 0;
    return pw_integer(pw_get(row, pw_str_of(member)), &n)
               ? pw_arena_printf(&cli->arena, "%lld", (long long)n)
               : PW_LIT("-");
}

/* ---- the list, and one of it */

static void print_page(cli_app *cli, pw_value page)
{
    static const char *const heads[] = {
        "EVENT", "SINK", "STATE", "TYPE", "TRIED", "SINCE", "ERROR"
    };
    pw_value list = pw_get_lit(page, "letters");
    pw_str next = pw_get_text(page, "next");
    table *t = table_new(&cli->arena, heads, PW_LENGTH(heads));
    for (uint32_t i = 0; i < list.count && t->rows < TABLE_ROWS; i++, t->rows++) {
        pw_value letter = pw_item(list, i);
        table_put(t, 0, cell(cli, letter, "event", SIZE_MAX));
        table_put(t, 1, cell(cli, letter, "sink", SIZE_MAX));
        table_put(t, 2, cell(cli, letter, "state", SIZE_MAX));
        table_put(t, 3, cell(cli, letter, "type", TYPE_WIDTH));
        table_put(t, 4, number(cli, letter, "attempts"));
        table_put(t, 5, cell(cli, letter, "createdAt", SIZE_MAX));
        table_put(t, 6, cell(cli, letter, "error", ERROR_WIDTH));
    }
    if (list.count == 0)
        cli_note("pawl deadletter: none");
    else
        table_print(t);
    if (next.len > 0)
        cli_note("pawl deadletter: there are more: pawl deadletter list --after " PW_FMT PW_FMT,
                 PW_ARG(cli_quoted(&cli->arena, next)), PW_ARG(cli_store_words(cli)));
}

static void print_letter(cli_app *cli, pw_value letter)
{
    static const char *const members[][2] = {
        { "event", "event" },       { "sink", "sink" },
        { "state", "state" },       { "type", "type" },
        { "source", "source" },     { "instance", "instance" },
        { "created", "createdAt" }, { "next try", "nextAt" },
        { "ended", "endedAt" },     { "by", "by" },
        { "reason", "reason" },     { "error", "error" },
    };
    for (size_t i = 0; i < PW_LENGTH(members); i++)
        print_field(cli, members[i][0], pw_get_text(letter, members[i][1]));
    print_field(cli, "tried", number(cli, letter, "attempts"));
    if (pw_truthy(pw_get_lit(letter, "requeued")))
        print_field(cli, "requeued", PW_LIT("yes: the event says so"));
    out_text("\n");
    out_json(pw_get_lit(letter, "payload"), PW_JSON_PRETTY);
}

static int list(cli_app *cli)
{
    uint64_t limit = 0;
    cli_request request;
    if (!cli_number(cli, "limit", 1, 1000, 100, &limit))
        return EXIT_USAGE;
    request_begin(cli, &request, "letters");
    request_option(cli, &request, "sink");
    request_option(cli, &request, "instance");
    request_option(cli, &request, "type");
    request_texts(cli, &request, "namespaces", "namespace");
    if (cli_flag(cli, "all"))
        request_add(&request, "all", pw_bool(true));
    request_option(cli, &request, "after");
    request_add(&request, "limit", pw_int((int64_t)limit));
    return cli_ask(cli, CLI_LOOK, pw_object_end(&request), print_page);
}

static int show(cli_app *cli)
{
    cli_request request;
    request_begin(cli, &request, "letter");
    request_text(&request, "event", cli->positionals[1]);
    request_option(cli, &request, "sink");
    return cli_ask(cli, CLI_LOOK, pw_object_end(&request), print_letter);
}

/* ---- what is done about them */

static void print_changed(cli_app *cli, pw_value answer)
{
    int64_t n = 0;
    (void)pw_integer(pw_get_lit(answer, "changed"), &n);
    bool requeue = strcmp(cli->positionals[0], "requeue") == 0;
    out_printf("%lld event%s %s\n", (long long)n, n == 1 ? "" : "s",
               requeue ? "requeued" : "discarded");
}

static int change(cli_app *cli, const char *command)
{
    static const char *const filters[] = { "sink", "instance", "type" };
    const char *event = cli->positional_count == 2 ? cli->positionals[1] : NULL;
    bool filtered = cli_flag(cli, "all") || cli_value(cli, "namespace");
    cli_request request;
    request_begin(cli, &request, command);
    request_text(&request, "event", event);
    for (size_t i = 0; i < PW_LENGTH(filters); i++) {
        filtered = filtered || cli_value(cli, filters[i]);
        request_option(cli, &request, filters[i]);
    }
    if (!event && !filtered)
        return cli_fail(cli, EXIT_USAGE,
                        "which ones? pawl deadletter %s EVENT, or --sink, --instance, --type, "
                        "--namespace or --all",
                        cli->positionals[0]);
    request_texts(cli, &request, "namespaces", "namespace");
    if (!event) /* what else is given makes it fewer */
        request_add(&request, "all", pw_bool(true));
    request_option(cli, &request, "reason");
    int code = request_who(cli, &request);
    return code == EXIT_DONE ? cli_ask(cli, CLI_CHANGE, pw_object_end(&request), print_changed)
                             : code;
}

static int requeue(cli_app *cli)
{
    return change(cli, "letter-requeue");
}

static int discard(cli_app *cli)
{
    return change(cli, "letter-discard");
}

/* ---- which of them */

static const struct {
    const char *name;
    int (*run)(cli_app *cli);
    bool needs_event, takes_event;
    const char *options[9]; /* that mean something to it */
} actions[] = {
    { "list",
      list,
      false,
      false,
      { "sink", "instance", "type", "namespace", "all", "limit", "after" } },
    { "show", show, true, true, { "sink" } },
    { "requeue",
      requeue,
      false,
      true,
      { "sink", "instance", "type", "namespace", "all", "reason", "actor", "idempotency-key" } },
    { "discard",
      discard,
      false,
      true,
      { "sink", "instance", "type", "namespace", "all", "reason", "actor", "idempotency-key" } },
};

static bool takes(size_t at, const char *option)
{
    for (size_t i = 0; i < PW_LENGTH(actions[at].options) && actions[at].options[i]; i++)
        if (strcmp(option, actions[at].options[i]) == 0)
            return true;
    for (uint32_t i = 0; i < cli_common_option_count; i++)
        if (strcmp(option, cli_common_options[i].name) == 0)
            return true;
    return false;
}

static bool of_many(const char *option)
{
    static const char *const names[] = { "instance", "type", "namespace", "all" };
    for (size_t i = 0; i < PW_LENGTH(names); i++)
        if (strcmp(option, names[i]) == 0)
            return true;
    return false;
}

static int deadletter(cli_app *cli)
{
    const char *word = cli->positionals[0];
    bool event = cli->positional_count == 2;
    size_t at = 0;
    while (at < PW_LENGTH(actions) && strcmp(actions[at].name, word) != 0)
        at++;
    if (at == PW_LENGTH(actions))
        return cli_fail(cli, EXIT_USAGE, "'%s' is none of list, show, requeue, discard", word);
    if (event ? !actions[at].takes_event : actions[at].needs_event)
        return cli_fail(
            cli, EXIT_USAGE,
            event ? "pawl deadletter %s takes no event: options say which are listed"
                  : "which one? pawl deadletter %s EVENT; `pawl deadletter list` lists them",
            word);
    for (uint32_t i = 0; i < cli->given_count; i++) {
        const char *option = cli->given[i].name;
        if (!takes(at, option) || (event && of_many(option)))
            return cli_fail(cli, EXIT_USAGE,
                            "option '--%s' means nothing to `pawl deadletter %s%s`", option, word,
                            event ? " EVENT" : "");
    }
    return actions[at].run(cli);
}

/* ---- sinks */

static void print_sinks(cli_app *cli, pw_value answer)
{
    static const char *const heads[] = { "SINK",   "STATE",     "PENDING", "DEAD",
                                         "OLDEST", "PUBLISHED", "TARGET" };
    pw_value list = pw_get_lit(answer, "sinks");
    table *t = table_new(&cli->arena, heads, PW_LENGTH(heads));
    for (uint32_t i = 0; i < list.count && t->rows < TABLE_ROWS; i++, t->rows++) {
        pw_value sink = pw_item(list, i);
        table_put(t, 0, cell(cli, sink, "name", SIZE_MAX));
        table_put(t, 1, cell(cli, sink, "state", SIZE_MAX));
        table_put(t, 2, number(cli, sink, "pending"));
        table_put(t, 3, number(cli, sink, "dead"));
        table_put(t, 4, cell(cli, sink, "oldestAt", SIZE_MAX));
        table_put(t, 5, number(cli, sink, "published"));
        table_put(t, 6,
                  pw_arena_printf(&cli->arena, PW_FMT " " PW_FMT,
                                  PW_ARG(cell(cli, sink, "type", SIZE_MAX)),
                                  PW_ARG(cell(cli, sink, "target", TARGET_WIDTH))));
    }
    if (list.count == 0) {
        cli_note("pawl sinks: none is set up (Outbox:Sinks:NAME:Type), and no event waits for one");
        return;
    }
    table_print(t);
    for (uint32_t i = 0; i < list.count; i++) {
        pw_value sink = pw_item(list, i);
        if (pw_str_is(pw_get_text(sink, "state"), "failing"))
            cli_note("pawl sinks: " PW_FMT ": " PW_FMT,
                     PW_ARG(cli_safe(&cli->arena, pw_get_text(sink, "name"))),
                     PW_ARG(cli_safe(&cli->arena, pw_get_text(sink, "lastError"))));
    }
}

static int sinks(cli_app *cli)
{
    cli_request request;
    request_begin(cli, &request, "sinks");
    return cli_ask(cli, CLI_ASK_OWNER, pw_object_end(&request), print_sinks);
}

// clang-format off
static const cli_option options[] = {
    { "sink", "NAME", NULL, "only at this sink; of one event: at which, if it is dead at several" },
    { "instance", "ID", NULL, "only events of this instance" },
    { "type", "TYPE", NULL, "only events of this type" },
    { "namespace", "NAMESPACE", NULL, "only of definitions in it; may be repeated", .many = true },
    { "all", NULL, NULL, "list: also those that are tried again, and those that were discarded; requeue, discard: every dead letter" },
    CLI_REASON,
    { "limit", "N", NULL, "list: rows of one page; 100" },
    { "after", "ID", NULL, "list: the page behind; the page before names it" },
    CLI_ACTOR("does it"), CLI_KEY,
};

const cli_command command_deadletter = {
    .name = "deadletter", .positionals = "list|show|requeue|discard [EVENT]", .least = 1, .most = 2,
    .has_store = true, .group = CLI_GROUP_INCIDENTS, .run = deadletter,
    .options = options, .option_count = PW_LENGTH(options),
    .summary = "events that could not be published: list, show, publish again, give up",
    .text =
        "An event is a dead letter at a sink when the sink has refused it, or when publishing it has failed as often as\n"
        "Workflow:OutboxProcessing:MaxRetryAttempts says. It stays, with its payload and its last error, until somebody\n"
        "requeues or discards it; those behind it of its instance do not wait for it. A requeued event has the same id, is\n"
        "behind what was published meanwhile, and says so: pawlrequeued. EVENT is as `pawl deadletter list` prints it.",
    .examples =
        "pawl deadletter list --sink hooks --db sqlite:shop.db\n"
        "pawl deadletter requeue --sink hooks --reason 'they are back' --db sqlite:shop.db",
    .exits = "0 done; 2 usage, or there is no such dead letter; 3 store or system trouble",
};

const cli_command command_sinks = {
    .name = "sinks", .positionals = "", .least = 0, .most = 0, .has_store = true, .group = CLI_GROUP_INCIDENTS, .run = sinks,
    .summary = "list where events are published: whether they are taken, how many wait, how many are dead",
    .text =
        "STATE, PUBLISHED and TARGET are known to the process that owns the store alone; without one, what is stored is\n"
        "shown. A sink that is not set up any more is listed as long as events wait for it. Only looks.",
    .examples = "pawl sinks --db sqlite:shop.db",
    .exits = "0 done; 2 usage; 3 store or system trouble",
};
// clang-format on
