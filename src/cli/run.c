/* run.c - `pawl run`: one workflow from its file to its output.
 *
 * It validates, publishes, starts (or finds, by its business key) and drives. What it has done is
 * in the store at every moment, so it may be killed anywhere and run again. Without a store of the
 * user's it makes one for itself, which it removes only when nothing is left to be done in it. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

#define DOCUMENT_MAX ((size_t)16 << 20)

/* ---- progress: steps come on a library thread, the first of them before we know our id */

typedef struct progress {
    pthread_mutex_t lock;
    pw_str id;    /* empty: not known yet */
    char **early; /* steps that came before */
    size_t early_count, early_size;
    int64_t next; /* step of the log, if another process drives it */
} progress;

static void progress_line(pw_arena *arena, pw_str at, pw_value entry)
{
    pw_str type = pw_get_text(entry, "type"), task = pw_get_text(entry, "task");
    if (pw_str_starts(type, PW_LIT("task.")))
        type = (pw_str){ type.ptr + 5, type.len - 5 };
    pw_str clock = at.len >= 23 ? (pw_str){ at.ptr + 11, 12 }
                                : at; /* the time of "2026-11-22T20:22:33.123Z" */
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_str(&buf, clock);
    pw_buf_printf(&buf, "  %-18.*s %.*s", (int)type.len, type.ptr, (int)task.len, task.ptr);
    int64_t n = 0;
    if (pw_integer(pw_get_lit(entry, "attempt"), &n) && n > 1)
        pw_buf_printf(&buf, "  attempt %lld", (long long)n);
    if (pw_integer(pw_get_lit(entry, "durationMs"), &n))
        pw_buf_printf(&buf, "  %lld ms", (long long)n);
    pw_str until = pw_get_text(entry, "dueAt");
    if (until.len > 0)
        pw_buf_printf(&buf, "  until " PW_FMT, PW_ARG(until));
    pw_value error = pw_get_lit(entry, "error");
    pw_str title = pw_get_text(error, "title"), detail = pw_get_text(error, "detail");
    if (pw_is(error, PW_OBJECT)) {
        int64_t status = 0;
        if (pw_integer(pw_get_lit(error, "status"), &status))
            pw_buf_printf(&buf, "  %lld", (long long)status);
        pw_buf_printf(&buf, " " PW_FMT "%s" PW_FMT, PW_ARG(title), detail.len > 0 ? ": " : "",
                      PW_ARG(detail));
    }
    pw_str reason = pw_get_text(entry, "reason");
    if (reason.len > 0)
        pw_buf_printf(&buf, "  " PW_FMT, PW_ARG(reason));
    if (!buf.failed)
        print_line_note(pw_arena_str(arena, pw_buf_view(&buf)));
    pw_buf_done(&buf);
}

static void progress_step(pw_arena *arena, pw_value step)
{
    pw_value entries = pw_get_lit(step, "entries");
    uint32_t count = pw_is(entries, PW_ARRAY) ? entries.count : 0;
    for (uint32_t i = 0; i < count; i++)
        progress_line(arena, pw_get_text(step, "at"), pw_item(entries, i));
}

static void progress_show(progress *p, const char *text)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value step;
    if (pw_json_parse(&step, pw_str_of(text), NULL, &arena, NULL) == PAWL_OK &&
        pw_str_eq(pw_get_text(step, "instance"), p->id)) {
        progress_step(&arena, step);
    }
    pw_arena_done(&arena);
}

static void on_step(void *context, const char *entries)
{
    progress *p = context;
    (void)pthread_mutex_lock(&p->lock);
    if (p->id.len > 0) {
        progress_show(p, entries);
    } else {
        if (p->early_count == p->early_size) {
            size_t size = p->early_size ? p->early_size * 2 : 16;
            char **more = pw_realloc(p->early, size * sizeof *more);
            if (more) {
                p->early = more;
                p->early_size = size;
            }
        }
        char *copy = p->early_count < p->early_size ? pw_strdup(pw_str_of(entries)) : NULL;
        if (copy) /* else: a line less to read */
            p->early[p->early_count++] = copy;
    }
    (void)pthread_mutex_unlock(&p->lock);
}

static void progress_begin(progress *p, pw_str id)
{
    (void)pthread_mutex_lock(&p->lock);
    p->id = id;
    for (size_t i = 0; i < p->early_count; i++) {
        progress_show(p, p->early[i]);
        pw_free(p->early[i]);
    }
    p->early_count = 0;
    (void)pthread_mutex_unlock(&p->lock);
}

/* Where another process drives the instance, its log tells what it did meanwhile. */
static void on_slice(cli_session *session, pw_str id)
{
    progress *p = session->on_step_context;
    pw_arena_mark mark = pw_arena_at(&session->cli->arena);
    for (bool more = true; more; pw_arena_rewind(&session->cli->arena, mark)) {
        cli_request request;
        pw_value page;
        int64_t sequence = 0;
        request_begin(session->cli, &request, "log");
        request_add(&request, "id", pw_string_ref(id));
        request_add(&request, "from", pw_int(p->next));
        if (session_call(session, pw_object_end(&request), &page, NULL) != PAWL_OK)
            return; /* the wait will say what is wrong */
        pw_value steps = pw_get_lit(page, "steps");
        for (uint32_t i = 0; pw_is(steps, PW_ARRAY) && i < steps.count; i++) {
            progress_step(&session->cli->arena, pw_item(steps, i));
            if (pw_integer(pw_get_lit(pw_item(steps, i), "sequence"), &sequence))
                p->next = sequence + 1;
        }
        more = sequence > 0 && !pw_is(pw_get_lit(page, "next"), PW_NONE);
    }
}

static void progress_done(progress *p)
{
    for (size_t i = 0; i < p->early_count; i++)
        pw_free(p->early[i]);
    pw_free(p->early);
    (void)pthread_mutex_destroy(&p->lock);
}

/* ---- a store of our own */

typedef struct own_store {
    char *directory; /* NULL: the user gave a store */
    char *path;
} own_store;

static int make_store(cli_app *cli, own_store *own)
{
    const char *base = getenv("TMPDIR");
    if (!base || base[0] == '\0')
        base = "/tmp";
    pw_str directory = pw_arena_printf(&cli->arena, "%s/pawl-run-XXXXXX", base);
    own->directory = pw_arena_alloc(&cli->arena, directory.len + 1);
    memcpy(own->directory, directory.ptr, directory.len + 1);
    if (!mkdtemp(own->directory)) {
        own->directory = NULL;
        return cli_fail(cli, EXIT_TROUBLE,
                        "cannot make a directory in %s for a temporary store: %s", base,
                        strerror(errno));
    }
    pw_str path = pw_arena_printf(&cli->arena, "%s/pawl.db", own->directory);
    own->path = pw_arena_alloc(&cli->arena, path.len + 1);
    memcpy(own->path, path.ptr, path.len + 1);
    cli->db = pw_arena_printf(&cli->arena, "sqlite:%s", own->path).ptr;
    cli->store_from_environment = false;
    return EXIT_DONE;
}

static void remove_store(cli_app *cli, const own_store *own)
{
    static const char *const endings[] = { "", "-wal", "-shm", "-journal", "-lock", "-sock" };
    if (!own->directory)
        return;
    for (size_t i = 0; i < PW_LENGTH(endings); i++)
        (void)unlink(pw_arena_printf(&cli->arena, "%s%s", own->path, endings[i]).ptr);
    if (rmdir(own->directory) != 0 && errno != ENOENT)
        cli_note("pawl run: the temporary store in %s was not removed: %s", own->directory,
                 strerror(errno));
}

/* ---- the run */

static int begin(cli_app *cli, cli_session *session, pw_value definition, pw_value input,
                 pw_str *id)
{
    pw_value answer;
    pw_str name = pw_arena_printf(&cli->arena, PW_FMT "/" PW_FMT,
                                  PW_ARG(pw_get_text(definition, "namespace")),
                                  PW_ARG(pw_get_text(definition, "name")));
    int code = cli_start(session, name.ptr, pw_get_text(definition, "version"), input, &answer);
    *id = code == EXIT_DONE ? pw_get_text(answer, "id") : PW_LIT("");
    return code;
}

/* How to go on, for an instance that was left before its end. */
static void say_how_to_go_on(cli_app *cli, pw_str id)
{
    pw_str store = cli_store_words(cli);
    const char *key = cli_value(cli, "id");
    cli_note("pawl run: instance " PW_FMT " is safe in its store. Look: pawl show " PW_FMT PW_FMT,
             PW_ARG(id), PW_ARG(id), PW_ARG(store));
    if (key)
        cli_note("pawl run: go on: the same `pawl run` again, with --id " PW_FMT PW_FMT,
                 PW_ARG(cli_quoted(&cli->arena, pw_str_of(key))), PW_ARG(store));
    else
        cli_note("pawl run: go on: pawl continue " PW_FMT " --until end" PW_FMT, PW_ARG(id),
                 PW_ARG(store));
}

static int report(cli_app *cli, pw_value instance)
{
    pw_str status = pw_get_text(instance, "status"), id = pw_get_text(instance, "id");
    int code = cli_exit_of_status(status);
    pw_value output = pw_get_lit(instance, "output"), error = pw_get_lit(instance, "error");
    if (cli->json)
        out_json(instance, PW_JSON_COMPACT);
    else if (pw_str_is(status, "completed"))
        out_json(pw_is(output, PW_NONE) ? pw_null() : output, PW_JSON_PRETTY);
    if (pw_str_is(status, "faulted") && !pw_is(error, PW_NONE)) {
        cli_error_object(error);
        bool stays = cli->db || cli->server; /* a store of its own is removed, with the incident */
        if (!cli->json && stays && isatty(STDERR_FILENO)) /* else the error is all there is: a program reads it */
            print_waits(cli, instance, print_line_note);
    } else if (code == EXIT_FAULTED) {
        cli_note("pawl run: instance " PW_FMT " is " PW_FMT, PW_ARG(id), PW_ARG(status));
    } else if (code == EXIT_WAITING) {
        cli_note("pawl run: instance " PW_FMT " is " PW_FMT ":", PW_ARG(id), PW_ARG(status));
        print_waits(cli, instance, print_line_note);
    }
    return code;
}

/* Drives the instance to its end, or to where only somebody else can move it. */
static int drive(cli_app *cli, cli_session *session, pw_str id, bool *over)
{
    pawl_error err;
    pw_value instance;
    pawl_code code = session_wait(session, id, "settled", &instance, &err);
    if (cli_interrupted() && code != PAWL_OK) {
        say_how_to_go_on(cli, id);
        return 128 + cli_interrupted();
    }
    if (code != PAWL_OK) {
        int failed = cli_fail_error(cli, &err);
        say_how_to_go_on(cli, id);
        return failed;
    }
    int result = report(cli, instance);
    *over = result == EXIT_DONE || result == EXIT_FAULTED;
    return result;
}

static int run_in_store(cli_app *cli, cli_session *session, pw_str text, pw_value input, bool *over)
{
    pw_value definition;
    pw_str id;
    int code = session_deploy(session, cli->positionals[0], text, &definition);
    if (code == EXIT_DONE)
        code = begin(cli, session, definition, input, &id);
    if (code != EXIT_DONE) {
        *over = true; /* nothing was begun */
        return code;
    }
    if (session->on_step)
        progress_begin(session->on_step_context, id);
    if (!cli_flag(cli, "no-wait"))
        return drive(cli, session, id, over);
    if (cli->json)
        out_json(pw_object_of(&cli->arena, (pw_member[]){ { PW_LIT("id"), pw_string_ref(id) } }, 1),
                 PW_JSON_COMPACT);
    else
        print_line_out(id);
    return EXIT_DONE;
}

static int run(cli_app *cli)
{
    pw_str text;
    pw_value input;
    int code = cli_read_file(cli, cli->positionals[0], DOCUMENT_MAX, &text);
    if (code == EXIT_DONE)
        code = cli_check_definition(cli, cli->positionals[0], text);
    if (code == EXIT_DONE)
        code = cli_json_option(cli, "input", &input);
    if (code != EXIT_DONE)
        return code;
    own_store own = { 0 };
    bool ours = !cli->db && !cli->server;
    if (ours && cli_flag(cli, "no-wait"))
        return cli_fail(
            cli, EXIT_USAGE,
            "--no-wait needs a store that stays: give --db sqlite:PATH, or set PAWL_DB");
    if (ours && (code = make_store(cli, &own)) != EXIT_DONE)
        return code;
    progress shown = { .lock = PTHREAD_MUTEX_INITIALIZER, .next = 1 };
    cli_session session = { .cli = cli, .create = true, .long_lived = !own.directory };
    if (cli_flag(cli, "progress") || (isatty(STDERR_FILENO) && !cli_flag(cli, "quiet"))) {
        session.on_step = on_step;
        session.on_step_context = &shown;
        session.on_slice = on_slice;
    }
    bool over = true;
    code = session_open(&session);
    if (code == EXIT_DONE) {
        over = false;
        code = run_in_store(cli, &session, text, input, &over);
    }
    session_close(&session);
    progress_done(&shown);
    if (over)
        remove_store(cli, &own);
    else if (own.directory)
        cli_note("pawl run: the store is kept, since the instance has not ended: %s", own.path);
    return code;
}

// clang-format off
static const cli_option options[] = {
    { "input", "JSON", NULL, "the workflow's input: JSON, or @FILE, or @- for standard input; else null" },
    { "id", "KEY", NULL, "business key: again with it, the first instance is continued or given back" },
    { "no-wait", NULL, NULL, "end as soon as the start is committed, and print the instance's id" },
    { "progress", NULL, NULL, "say on standard error what is done, even if that is no terminal" },
    { "quiet", NULL, NULL, "do not, even if it is one" },
    CLI_START_OPTIONS,
};

const cli_command command_run = {
    .name = "run", .positionals = "FILE", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INSTANCES, .run = run,
    .options = options, .option_count = PW_LENGTH(options),
    .summary = "run a workflow from its file to its end, and print its output",
    .text =
        "Checks the definition in FILE ('-': standard input), publishes it, starts an instance and drives it.\n"
        "The output is JSON on standard output; the error of an instance that faulted is JSON on standard error.\n"
        "Everything it does is committed to the store first, so that it may be killed at any moment: run it\n"
        "again with the same --id and it goes on where it was. The same --id with another input is refused.\n"
        "Without --db it works in a temporary store, which it removes when the instance has ended, and keeps\n"
        "and names when it has not. While it runs, other `pawl` commands on the store reach it by a socket.",
    .examples =
        "pawl run hello.yaml --input '{\"name\": \"Ada\"}'\n"
        "pawl run order.yaml --db sqlite:shop.db --id order-1001 --input @order.json",
};
// clang-format on
