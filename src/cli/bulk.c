/* bulk.c - `pawl bulk`: one action on many incidents. It is counted first, and a person is asked;
 * then its progress is shown, and a report of what could not be done. Whoever owns the store
 * carries it out: without another owner that is this process, for as long as it lives. */
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/table.h"

enum {
    LOOK_MS = 20,        /* at our own work */
    LOOK_THERE_MS = 250, /* at another process's */
    SAY_MS = 2000,       /* between two lines where no terminal shows the progress */
    OWNERS_LOST_MAX = 20,
    FILTER_WIDTH = 60,
    MESSAGE_WIDTH = 80,
};

/* ---- what it was given, and how it stands */

static int64_t number(pw_value row, const char *member)
{
    int64_t n = 0;
    return pw_integer(pw_get(row, pw_str_of(member)), &n) ? n : 0;
}

/* "name=shop/order class=timeout", as the options say it. */
static pw_str filter_of(cli_app *cli, pw_value bulk)
{
    pw_value filter = pw_get_lit(bulk, "filter");
    pw_str text = PW_LIT("");
    for (uint32_t i = 0; i < filter.count; i++) {
        const pw_member *m = &pw_members(filter)[i];
        pw_str value = pw_is(m->value, PW_STRING)
                           ? pw_text(m->value)
                           : pw_json_text(&cli->arena, m->value, PW_JSON_COMPACT);
        text = pw_arena_printf(&cli->arena, PW_FMT "%s" PW_FMT "=" PW_FMT, PW_ARG(text),
                               i ? " " : "", PW_ARG(m->key), PW_ARG(value));
    }
    return text.len ? text : PW_LIT("all that are open");
}

static pw_str progress_of(cli_app *cli, pw_value bulk)
{
    return pw_arena_printf(&cli->arena, "%lld of %lld done, %lld over before, %lld failed",
                           (long long)number(bulk, "done"), (long long)number(bulk, "counted"),
                           (long long)number(bulk, "skipped"), (long long)number(bulk, "failed"));
}

static bool is_running(pw_value bulk)
{
    return pw_str_is(pw_get_text(bulk, "state"), "running");
}

static void print_failures(cli_app *cli, pw_value bulk)
{
    static const char *const heads[] = { "INSTANCE", "CODE", "WHY" };
    pw_value list = pw_get_lit(bulk, "failures");
    if (!pw_is(list, PW_ARRAY) || list.count == 0)
        return;
    table *t = table_new(&cli->arena, heads, PW_LENGTH(heads));
    for (uint32_t i = 0; i < list.count && t->rows < TABLE_ROWS; i++, t->rows++) {
        pw_value one = pw_item(list, i);
        table_put(t, 0, cli_safe(&cli->arena, pw_get_text(one, "instance")));
        table_put(t, 1, cli_safe(&cli->arena, pw_get_text(one, "code")));
        table_put(t, 2,
                  cli_safe(&cli->arena, cli_cut(cli, pw_get_text(one, "message"), MESSAGE_WIDTH)));
    }
    out_text("\n");
    table_print(t);
    if (number(bulk, "failed") > list.count)
        cli_note("pawl bulk: only the first %u of %lld failures are kept", list.count,
                 (long long)number(bulk, "failed"));
}

static void print_bulk(cli_app *cli, pw_value bulk)
{
    print_field(cli, "operation", pw_get_text(bulk, "id"));
    print_field(cli, "state", pw_get_text(bulk, "state"));
    print_field(cli, "action", pw_get_text(bulk, "action"));
    print_field(cli, "task", pw_get_text(bulk, "task"));
    print_field(cli, "incidents", filter_of(cli, bulk));
    print_field(cli, "reason", pw_get_text(bulk, "reason"));
    print_field(cli, "started by", pw_get_text(bulk, "actor"));
    print_field(cli, "started", pw_get_text(bulk, "createdAt"));
    print_field(cli, "stopped by", pw_get_text(bulk, "stoppedBy"));
    print_field(cli, "ended", pw_get_text(bulk, "endedAt"));
    print_field(cli, "progress", progress_of(cli, bulk));
    print_field(cli, "trouble", pw_get_text(bulk, "trouble"));
    print_failures(cli, bulk);
}

static int exit_of(pw_value bulk)
{
    if (!pw_str_is(pw_get_text(bulk, "state"), "done"))
        return EXIT_WAITING;
    return number(bulk, "failed") > 0 ? EXIT_FAULTED : EXIT_DONE;
}

static int report(cli_app *cli, pw_value bulk)
{
    if (cli->json)
        out_json(bulk, PW_JSON_COMPACT);
    else
        print_bulk(cli, bulk);
    return exit_of(bulk);
}

/* ---- watching */

static void pause_ms(long ms)
{
    struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    (void)nanosleep(&time, NULL); /* a signal ends it early, and is looked at next */
}

typedef struct watch {
    cli_session *session;
    bool terminal;
    int64_t said_ms; /* when a line was written last */
    char text[160];  /* of that line */
} watch;

static void say_progress(watch *w, pw_value bulk, bool last)
{
    cli_app *cli = w->session->cli;
    pw_str text = progress_of(cli, bulk);
    bool same = pw_str_eq(text, pw_str_of(w->text));
    if (cli->json || (same && !(last && w->terminal && w->text[0])))
        return;
    if (w->terminal)
        (void)fprintf(stderr, "\rpawl bulk: " PW_FMT "\033[K%s", PW_ARG(text), last ? "\n" : "");
    else if (last || cli_now_ms() - w->said_ms >= SAY_MS)
        cli_note("pawl bulk: " PW_FMT, PW_ARG(text));
    else
        return;
    w->said_ms = cli_now_ms();
    (void)snprintf(w->text, sizeof w->text, PW_FMT, PW_ARG(text));
}

static pawl_code look(cli_session *session, pw_str id, pw_value *out, pawl_error *err)
{
    cli_request request;
    request_begin(session->cli, &request, "bulk");
    request_add(&request, "id", pw_string_ref(id));
    return session_call(session, pw_object_end(&request), out, err);
}

static int interrupted(watch *w, pw_str id)
{
    cli_app *cli = w->session->cli;
    pw_str store = cli_store_words(cli);
    if (w->terminal && w->text[0])
        (void)fputc('\n', stderr);
    cli_note("pawl bulk: it goes on %s.\nTo see it:  pawl bulk show " PW_FMT " --follow" PW_FMT
             "\nTo stop it: pawl bulk stop " PW_FMT PW_FMT,
             w->session->p ? "when the store is opened next" : "without this command", PW_ARG(id),
             PW_ARG(store), PW_ARG(id), PW_ARG(store));
    return 128 + cli_interrupted();
}

/* Until it does not run any more, or a signal came. */
static int follow(cli_session *session, pw_str id)
{
    cli_app *cli = session->cli;
    watch w = { .session = session, .terminal = isatty(STDERR_FILENO) != 0 };
    pw_arena_mark mark = pw_arena_at(&cli->arena);
    for (int lost = 0;;) {
        pw_value bulk;
        pawl_error err;
        bool owned = session->p || session->remote;
        pawl_code code = look(session, id, &bulk, &err);
        if (cli_interrupted())
            return interrupted(&w, id);
        if (code == PAWL_OK && !is_running(bulk)) {
            say_progress(&w, bulk, true);
            return report(cli, bulk);
        }
        if (code == PAWL_OK)
            say_progress(&w, bulk, false);
        else if (code != PAWL_IO || owned || lost++ == OWNERS_LOST_MAX)
            return cli_fail_error(cli, &err); /* else its owner died: who is next? */
        pw_arena_rewind(&cli->arena, mark);
        pause_ms(session->p ? LOOK_MS : LOOK_THERE_MS);
        if (cli_interrupted())
            return interrupted(&w, id);
    }
}

/* ---- starting */

static int add_json(cli_app *cli, cli_request *request, const char *name)
{
    pw_value v;
    int code = cli_json_option(cli, name, &v);
    if (code == EXIT_DONE)
        request_add(request, name, v);
    return code;
}

static int make_request(cli_app *cli, cli_request *request)
{
    static const char *const texts[] = { "reason", "task", "name", "version", "type", "class" };
    uint64_t older = 0;
    request_begin(cli, request, "bulk-start");
    request_text(request, "action", cli->positionals[0]);
    for (size_t i = 0; i < PW_LENGTH(texts); i++)
        request_option(cli, request, texts[i]);
    request_text(request, "atTask", cli_value(cli, "at-task"));
    request_texts(cli, request, "namespaces", "namespace");
    if (cli_flag(cli, "confirm"))
        request_add(request, "confirm", pw_bool(true));
    if (!cli_time(cli, "older", 0, &older))
        return EXIT_USAGE;
    if (older > 0)
        request_add(request, "olderMs", pw_int((int64_t)older));
    int code = request_pairs(cli, request, "labels", "label");
    if (code == EXIT_DONE)
        code = add_json(cli, request, "input");
    if (code == EXIT_DONE)
        code = add_json(cli, request, "output");
    return code;
}

/* How many fit. Not EXIT_DONE: a message was printed. */
static int count(cli_session *session, pw_value request, int64_t *out)
{
    pw_value answer;
    pawl_error err;
    request = pw_with(&session->cli->arena, request, PW_LIT("dryRun"), pw_bool(true));
    if (session_call(session, request, &answer, &err) != PAWL_OK)
        return cli_fail_error(session->cli, &err);
    *out = number(answer, "counted");
    return EXIT_DONE;
}

/* Somebody at a terminal says yes. */
static bool is_wanted(cli_app *cli, int64_t counted)
{
    char answer[16] = "";
    (void)fprintf(stderr, "pawl bulk: %s %lld incident%s? [y/N] ", cli->positionals[0],
                  (long long)counted, counted == 1 ? "" : "s");
    (void)fflush(stderr);
    if (!fgets(answer, sizeof answer, stdin))
        return false;
    return answer[0] == 'y' || answer[0] == 'Y';
}

static int confirm(cli_app *cli, int64_t counted)
{
    if (cli_flag(cli, "yes"))
        return EXIT_DONE;
    if (!isatty(STDIN_FILENO))
        return cli_fail(cli, EXIT_USAGE,
                        "%lld incident%s: say --yes to %s %s, or --dry-run to count only",
                        (long long)counted, counted == 1 ? " fits" : "s fit", cli->positionals[0],
                        counted == 1 ? "it" : "them");
    return is_wanted(cli, counted) ? EXIT_DONE : cli_fail(cli, EXIT_USAGE, "nothing was done");
}

static int say_count(cli_app *cli, int64_t counted)
{
    if (cli->json)
        out_printf("{\"counted\":%lld}\n", (long long)counted);
    else
        out_printf("%lld incident%s\n", (long long)counted, counted == 1 ? " fits" : "s fit");
    return EXIT_DONE;
}

static int start(cli_session *session, pw_value request)
{
    cli_app *cli = session->cli;
    pw_value bulk;
    pawl_error err;
    if (session_call(session, request, &bulk, &err) != PAWL_OK)
        return cli_fail_error(cli, &err);
    pw_str id = pw_get_text(bulk, "id");
    if (!cli_flag(cli, "no-wait"))
        return follow(session, id);
    if (cli->json)
        out_json(bulk, PW_JSON_COMPACT);
    else
        print_bulk(cli, bulk);
    return EXIT_DONE;
}

static int act(cli_app *cli)
{
    cli_request made;
    int64_t counted = 0;
    int code = make_request(cli, &made);
    if (code == EXIT_DONE)
        code = request_who(cli, &made);
    if (code != EXIT_DONE)
        return code;
    pw_value request = pw_object_end(&made);
    cli_session session = { .cli = cli };
    code = session_open(&session);
    if (code != EXIT_DONE)
        return code;
    /* A key says which request it is: the count is another one. */
    code = count(&session, pw_without(&cli->arena, request, PW_LIT("idempotencyKey")), &counted);
    bool nothing =
        counted == 0 && !cli_flag(cli, "idempotency-key"); /* with one it may be a repetition */
    if (code == EXIT_DONE && (nothing || cli_flag(cli, "dry-run")))
        code = say_count(cli, counted);
    else if (code == EXIT_DONE && (code = confirm(cli, counted)) == EXIT_DONE)
        code = start(&session, request);
    session_close(&session);
    return code;
}

/* ---- those that there are */

static void print_page(cli_app *cli, pw_value page)
{
    static const char *const heads[] = { "OPERATION", "STATE",  "ACTION", "INCIDENTS",
                                         "DONE",      "FAILED", "STARTED" };
    pw_arena *arena = &cli->arena;
    pw_value list = pw_get_lit(page, "bulks");
    pw_str next = pw_get_text(page, "next");
    table *t = table_new(arena, heads, PW_LENGTH(heads));
    for (uint32_t i = 0; i < list.count && t->rows < TABLE_ROWS; i++, t->rows++) {
        pw_value one = pw_item(list, i);
        table_put(t, 0, cli_safe(arena, pw_get_text(one, "id")));
        table_put(t, 1, cli_safe(arena, pw_get_text(one, "state")));
        table_put(t, 2, cli_safe(arena, pw_get_text(one, "action")));
        table_put(t, 3, cli_safe(arena, cli_cut(cli, filter_of(cli, one), FILTER_WIDTH)));
        table_put(t, 4,
                  pw_arena_printf(arena, "%lld/%lld",
                                  (long long)(number(one, "done") + number(one, "skipped")),
                                  (long long)number(one, "counted")));
        table_put(t, 5, pw_arena_printf(arena, "%lld", (long long)number(one, "failed")));
        table_put(t, 6, cli_safe(arena, pw_get_text(one, "createdAt")));
    }
    if (list.count == 0)
        cli_note("pawl bulk: none");
    else
        table_print(t);
    if (next.len > 0)
        cli_note("pawl bulk: there are more: pawl bulk list --after " PW_FMT PW_FMT,
                 PW_ARG(cli_quoted(arena, next)), PW_ARG(cli_store_words(cli)));
}

static int list(cli_app *cli)
{
    uint64_t limit = 0;
    cli_request request;
    if (!cli_number(cli, "limit", 1, 1000, 100, &limit))
        return EXIT_USAGE;
    request_begin(cli, &request, "bulks");
    request_texts(cli, &request, "namespaces", "namespace");
    request_option(cli, &request, "after");
    request_add(&request, "limit", pw_int((int64_t)limit));
    return cli_ask(cli, CLI_LOOK, pw_object_end(&request), print_page);
}

static int show(cli_app *cli)
{
    cli_request request;
    pw_str id = pw_str_of(cli->positionals[1]);
    if (!cli_flag(cli, "follow")) {
        request_begin(cli, &request, "bulk");
        request_add(&request, "id", pw_string_ref(id));
        return cli_ask(cli, CLI_ASK_OWNER, pw_object_end(&request), print_bulk);
    }
    cli_session session = { .cli = cli };
    int code = session_open(&session);
    if (code != EXIT_DONE)
        return code;
    code = follow(&session, id);
    session_close(&session);
    return code;
}

static int stop(cli_app *cli)
{
    cli_request request;
    request_begin(cli, &request, "bulk-stop");
    request_text(&request, "id", cli->positionals[1]);
    int code = request_who(cli, &request);
    return code == EXIT_DONE ? cli_ask(cli, CLI_CHANGE, pw_object_end(&request), print_bulk) : code;
}

static int go_on(cli_app *cli)
{
    cli_request request;
    request_begin(cli, &request, "bulk-continue");
    request_text(&request, "id", cli->positionals[1]);
    int code = request_who(cli, &request);
    cli_session session = { .cli = cli };
    if (code == EXIT_DONE)
        code = session_open(&session);
    if (code != EXIT_DONE)
        return code;
    code = start(&session, pw_object_end(&request));
    session_close(&session);
    return code;
}

/* ---- which of them */

/* Options that say what is wanted of whom. */
static const char *const wanted[] = { "reason", "input",   "output", "task",   "confirm",
                                      "name",   "version", "type",   "class",  "at-task",
                                      "label",  "older",   "yes",    "dry-run" };

static const struct {
    const char *name;
    int (*run)(cli_app *cli);
    bool id; /* it is of one that there is */
    const char *options[4];
} actions[] = {
    { "list", list, false, { "namespace", "limit", "after" } },
    { "show", show, true, { "follow" } },
    { "stop", stop, true, { "actor", "idempotency-key" } },
    { "continue", go_on, true, { "actor", "idempotency-key", "no-wait" } },
};

static bool is_one_of(const char *name, const char *const *names, size_t most)
{
    for (size_t i = 0; i < most && names[i]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* An option that means nothing here is a mistake. */
static int check_options(cli_app *cli, size_t at)
{
    static const char *const starting[] = { "namespace", "actor", "idempotency-key", "no-wait" };
    for (uint32_t i = 0; i < cli->given_count; i++) {
        const char *name = cli->given[i].name;
        bool common = false, known;
        for (uint32_t c = 0; c < cli_common_option_count && !common; c++)
            common = strcmp(cli_common_options[c].name, name) == 0;
        if (at < PW_LENGTH(actions))
            known = is_one_of(name, actions[at].options, PW_LENGTH(actions[at].options));
        else
            known = is_one_of(name, wanted, PW_LENGTH(wanted)) ||
                    is_one_of(name, starting, PW_LENGTH(starting));
        if (!common && !known)
            return cli_fail(cli, EXIT_USAGE, "option '--%s' means nothing to `pawl bulk %s`", name,
                            cli->positionals[0]);
    }
    return EXIT_DONE;
}

static int bulk(cli_app *cli)
{
    static const char *const starts[] = { "retry", "skip", "goto", "fail", "cancel", "compensate" };
    const char *word = cli->positionals[0];
    size_t at = 0;
    while (at < PW_LENGTH(actions) && strcmp(actions[at].name, word) != 0)
        at++;
    bool there = at < PW_LENGTH(actions);
    if (!there && !is_one_of(word, starts, PW_LENGTH(starts)))
        return cli_fail(cli, EXIT_USAGE,
                        "'%s' is no bulk action: retry, skip, goto, fail, cancel, compensate; or "
                        "list, show, stop, continue",
                        word);
    bool id = there && actions[at].id;
    if (id != (cli->positional_count == 2))
        return cli_fail(cli, EXIT_USAGE,
                        id ? "which one? pawl bulk %s ID; `pawl bulk list` lists them"
                           : "pawl bulk %s takes no ID: options say which incidents it is for",
                        word);
    int code = check_options(cli, at);
    if (code != EXIT_DONE)
        return code;
    return there ? actions[at].run(cli) : act(cli);
}

// clang-format off
static const cli_option options[] = {
    { "name", "NAME", NULL, "only of this definition: name or namespace/name" },
    { "version", "VERSION", NULL, "only of this version of a definition" },
    { "namespace", "NAMESPACE", NULL, "only of definitions in it; may be repeated", .many = true },
    { "at-task", "POINTER", NULL, "only where this task has failed: /do/0/charge" },
    { "type", "TYPE", NULL, "only these: startup-fault, activity-fault, external-call-fault, resume-fault",
      "startup-fault activity-fault external-call-fault resume-fault" },
    { "class", "CLASS", NULL, "only errors of this class: timeout, connection, server-error ..." },
    { "label", "NAME=VALUE", NULL, "only of instances with this label; may be repeated", .many = true },
    { "older", "TIME", NULL, "only what came up at least so long ago: 30m, 24h, 7d" },
    { "input", "JSON|@FILE|@-", NULL, "retry, goto: what the task is given instead of its own input" },
    { "output", "JSON|@FILE|@-", NULL, "skip: as if the task had given it" },
    { "task", "POINTER", NULL, "goto: the task that is next" },
    { "confirm", NULL, NULL, "although a call may have had its effect whose outcome nobody knows" },
    CLI_REASON,
    { "yes", NULL, NULL, "do not ask" },
    { "dry-run", NULL, NULL, "only count what fits" },
    { "no-wait", NULL, NULL, "end as soon as it is started" },
    { "follow", NULL, NULL, "show: until it is done or stopped" },
    { "limit", "N", NULL, "list: rows of one page; 100" },
    { "after", "ID", NULL, "list: the page behind; the page before names it" },
    CLI_ACTOR("does it"), CLI_KEY,
};

const cli_command command_bulk = {
    .name = "bulk", .positionals = "retry|skip|goto|fail|cancel|compensate|list|show|stop|continue [ID]", .least = 1, .most = 2,
    .has_store = true, .group = CLI_GROUP_INCIDENTS, .run = bulk,
    .options = options, .option_count = PW_LENGTH(options),
    .summary = "do the same about many incidents: count, ask, then page by page",
    .text =
        "Takes the action on every open incident that the options let through and that was there when it was started:\n"
        "counted first, and asked for unless --yes says so. Who owns the store carries it out, a server or this process,\n"
        "and goes on with it after a crash; no instance gets the action twice. Instances that refuse it stop nothing: they\n"
        "are in the report, the first 1000 of them. Ctrl-C ends the watching only. `pawl bulk list` and `show ID` tell how\n"
        "far operations are; `stop ID` ends one behind its page of 100, and `continue ID` lets it go on.",
    .examples =
        "pawl bulk retry --name shop/order --class connection --dry-run --db sqlite:shop.db\n"
        "pawl bulk retry --name shop/order --class connection --yes --reason 'the gateway is back'\n"
        "pawl bulk cancel --label customer=17 --older 24h\n"
        "pawl bulk show 01kaq0f3s7 --follow",
    .exits =
        "0 done, or as asked; 1 done, but some instances refused; 2 usage, no such operation, or nobody said yes; 3 store or\n"
        "system trouble; 4 it was stopped",
};
// clang-format on
