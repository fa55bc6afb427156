/* session.c - the way of a command to the store. A command is JSON, and means the same on each way:
 *
 *     --server URL      remote.c: by HTTP
 *     only to look      pawl_command() on a store that is opened to read, beside any owner
 *     nobody owns it    we do for the length of the command: pawl_command()
 *     another owns it   by that one's socket
 *
 * Who owns the store decides. While we own it we drive what there is to do, and other commands
 * reach us by the socket. Owners come and go: a command that finds the owner gone looks again who
 * owns the store now. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/remote.h"
#include "cli/settings.h"

enum {
    SLICE_MS = 250,          /* how long a wait may keep us from noticing a signal */
    OWNER_SLICE_MS = 1000,   /* the same at the owner: one connection each */
    WATCHED_MS = 500,        /* where what was done meanwhile is shown */
    SERVER_SLICE_MS = 30000, /* at a server, whose answer can be given up */
    LOOK_AGAIN_MS = 100,
    ASK_MS = 2000, /* an owner that is busy for longer is not waited for by who only looks */
    LOOK_AGAIN_MAX = 100, /* ten seconds: an owner that takes no commands is about to end */
    OWNERS_LOST_MAX = 10,
    WORKERS_MS =
        3000, /* how long a job may wait for a worker to ask before we give up waiting for one */
};

/* ---- signals */

/* seq_cst: set by a handler, read seldom, by any thread. */
static atomic_int caught, times, times_most = 1;
static_assert(ATOMIC_INT_LOCK_FREE == 2, "for a signal handler");

static void on_signal(int number)
{
    if (atomic_load(&times) >= atomic_load(&times_most))
        _exit(128 + number); /* asked again: at once. Everything that counts is committed */
    atomic_store(&caught, number);
    (void)atomic_fetch_add(&times, 1);
}

void cli_hear_signals(int most)
{
    atomic_store(&times_most, most);
}

int cli_signals(void)
{
    return atomic_load(&times);
}

void cli_catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
}

int cli_interrupted(void)
{
    return atomic_load(&caught);
}

static void pause_ms(long ms)
{
    struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    (void)nanosleep(&time, NULL); /* a signal ends it early, and is looked at next */
}

/* ---- opening */

/* A store that this release cannot have is bad usage; one that it cannot open is trouble. */
bool cli_knows_store(const cli_app *cli)
{
    const char *colon = strchr(cli->db, ':');
    size_t len = colon ? (size_t)(colon - cli->db) : 0;
    for (size_t i = 0; i < len; i++) {
        bool letter = (cli->db[i] >= 'a' && cli->db[i] <= 'z') ||
                      (cli->db[i] >= 'A' && cli->db[i] <= 'Z') ||
                      (i > 0 && strchr("0123456789+-.", cli->db[i]) != NULL);
        if (!letter)
            return true; /* a path with a colon in it */
    }
    if (len < 2 || strncmp(cli->db, "sqlite:", 7) == 0 || strcmp(cli->db, "memory:") == 0)
        return true;
    (void)cli_fail(cli, EXIT_USAGE, "this release knows no '%.*s:' stores: use sqlite:PATH",
                   (int)len, cli->db);
    return false;
}

static int store_trouble(const cli_app *cli, const pawl_error *err)
{
    (void)cli_fail_error(cli, err);
    return EXIT_TROUBLE; /* "not a store of ours" is INVALID to the library, but not the user's
                            input */
}

/* PAWL_BUSY: another process owns it. */
static pawl_code try_to_own(cli_session *session, pawl_error *err)
{
    pawl_options options = pawl_options_default();
    pawl_config_options(session->config, &options);
    options.store = session->store;
    options.mode = PAWL_OWN;
    options.create = session->create ? 1 : 0;
    options.on_step = session->on_step;
    options.on_step_context = session->on_step_context;
    if (session->job_lease_ms > 0)
        options.job_lease_ms = session->job_lease_ms;
    pawl_code code = pawl_open(&session->p, &options, err);
    if (code == PAWL_OK)
        code = pawl_config_apply(session->config, session->p, err);
    if (code != PAWL_OK) {
        pawl_close(session->p);
        session->p = NULL;
        return code;
    }
    pawl_error trouble;
    if (strcmp(session->store, "memory:") != 0 &&
        pawl_control_open(&session->control, session->p, &trouble) != PAWL_OK) {
        session->control = NULL;
        if (session->long_lived)
            cli_note("pawl %s: other processes cannot send commands meanwhile: %s",
                     session->cli->command->name, trouble.message);
    }
    return PAWL_OK;
}

static pawl_code open_to_look(cli_session *session, pawl_error *err)
{
    pawl_options options = pawl_options_default();
    options.store = session->store;
    options.mode = PAWL_READ;
    options.create = 0;
    return pawl_open(&session->p, &options, err);
}

int session_open(cli_session *session)
{
    cli_app *cli = session->cli;
    if (cli->server && cli_value(cli, "config"))
        return cli_fail(cli, EXIT_USAGE, "--config is for a store: a server has its own settings");
    if (cli->server)
        return remote_open(&session->remote, cli);
    static const char *const given_to_server[] = { "token", "token-file", "ca" };
    for (size_t i = 0; i < PW_LENGTH(given_to_server); i++) {
        if (cli_value(cli, given_to_server[i]))
            return cli_fail(cli, EXIT_USAGE, "--%s is for a server: give --server URL, too",
                            given_to_server[i]);
    }
    if (!session->store)
        session->store = cli->db;
    if (!session->store)
        return cli_fail(cli, EXIT_USAGE,
                        "which store? Give --db sqlite:PATH, or --server URL, or set PAWL_DB or "
                        "PAWL_SERVER in the environment");
    if (session->store == cli->db && !cli_knows_store(cli))
        return EXIT_USAGE;
    if (session->never_own)
        return EXIT_DONE;
    int settings = session->look ? EXIT_DONE : cli_config(cli, &session->config);
    if (settings != EXIT_DONE)
        return settings;
    pawl_error err;
    pawl_code code = session->look ? open_to_look(session, &err) : try_to_own(session, &err);
    if (code == PAWL_OK || (code == PAWL_BUSY && !session->look))
        return EXIT_DONE; /* busy: the first call finds the owner */
    session->p = NULL;
    return store_trouble(cli, &err);
}

void session_close(cli_session *session)
{
    pawl_control_close(session->control);
    pawl_close(session->p);
    remote_close(session->remote);
    session->control = NULL;
    session->p = NULL;
    session->remote = NULL;
}

/* ---- commands */

static pawl_code code_of_name(pw_str name)
{
#define CLI_CODE_NAME(code, text, action)                                                          \
    if (pw_str_is(name, text))                                                                     \
        return PAWL_##code;
    PAWL_CODES(CLI_CODE_NAME)
#undef CLI_CODE_NAME
    return PAWL_IO;
}

static pawl_reason reason_of_name(pw_str name)
{
#define CLI_REASON_NAME(reason, text, action)                                                      \
    if (pw_str_is(name, text))                                                                     \
        return PAWL_REASON_##reason;
    PAWL_REASONS(CLI_REASON_NAME)
#undef CLI_REASON_NAME
    return PAWL_REASON_NONE;
}

static pawl_code read_answer(cli_session *session, const char *answer, pw_value *out,
                             pawl_error *err)
{
    pw_value all;
    pawl_code code = pw_json_parse(&all, pw_str_of(answer), NULL, &session->cli->arena, err);
    if (code != PAWL_OK)
        return code == PAWL_NO_MEMORY ? code
                                      : pw_fail(err, PAWL_IO,
                                                "the answer is no JSON: is the owner of "
                                                "the store another version of pawl?");
    session->findings = pw_get_lit(all, "findings");
    pw_value error = pw_get_lit(all, "error");
    if (pw_is(error, PW_OBJECT)) {
        pw_str message = pw_get_text(error, "message");
        pw_str name = pw_get_text(error, "code");
        code = code_of_name(name);
        return pw_fail_reason(err, code == PAWL_OK ? PAWL_IO : code,
                              reason_of_name(pw_get_text(error, "reason")), PW_FMT,
                              PW_ARG(message));
    }
    *out = pw_get_lit(all, "ok");
    if (pw_is(*out, PW_NONE))
        return pw_fail(err, PAWL_IO, "the answer is neither \"ok\" nor \"error\"");
    return PAWL_OK;
}

/* To the owner's socket, or into our own store once we own it. */
static pawl_code call_owner(cli_session *session, const char *text, char **answer, pawl_error *err)
{
    if (session->ask_owner && pawl_control_call(session->store, text, ASK_MS, answer, NULL) == PAWL_OK)
        return PAWL_OK;
    for (int look = 0;; look++) {
        if (session->p)
            return pawl_command(session->p, text, answer, err);
        pawl_code code = pawl_control_call(session->store, text, 0, answer, err);
        if (code != PAWL_NOT_FOUND)
            return code;
        /* Nobody listens: the owner has ended, or has not come so far, or takes no commands. */
        if (session->never_own)
            return pw_fail(err, PAWL_BUSY, "nobody takes commands for the store '%s': no server owns it", session->store);
        pawl_error busy;
        code = try_to_own(session, &busy);
        if (code == PAWL_OK)
            continue;
        if (code != PAWL_BUSY || look == LOOK_AGAIN_MAX || cli_interrupted()) {
            if (err)
                *err = busy;
            return code;
        }
        pause_ms(LOOK_AGAIN_MS);
    }
}

pawl_code session_call(cli_session *session, pw_value request, pw_value *out, pawl_error *err)
{
    pw_str text = pw_json_text(&session->cli->arena, request, PW_JSON_COMPACT);
    if (!pw_utf8_valid(text))
        return pw_fail(err, PAWL_INVALID, "an argument is not UTF-8 text");
    char *answer = NULL;
    pawl_code code = session->remote ? remote_call(session->remote, request, &answer, err)
                                     : call_owner(session, text.ptr, &answer, err);
    if (code == PAWL_OK)
        code = read_answer(session, answer, out, err);
    pawl_free(answer);
    return code;
}

/* What was found only where the definition is published: errors, or functions that nobody there
 * has, which may be right. Other warnings have been said when the file was checked. */
static bool say_findings(cli_session *session, const char *path, bool errors)
{
    pw_value findings = session->findings;
    uint32_t count = pw_is(findings, PW_ARRAY) && !session->cli->json ? findings.count : 0;
    bool said = false;
    for (uint32_t i = 0; i < count; i++) {
        pw_value finding = pw_item(findings, i);
        int64_t line = 0, column = 0;
        (void)pw_integer(pw_get_lit(finding, "line"), &line);
        (void)pw_integer(pw_get_lit(finding, "column"), &column);
        bool error = pw_truthy(pw_get_lit(finding, "error"));
        if (error != errors ||
            (!error && !pw_str_is(pw_get_text(finding, "code"), "function-not-registered")))
            continue;
        cli_note("%s:%lld:%lld: %s" PW_FMT, path, (long long)(line > 0 ? line : 1),
                 (long long)(column > 0 ? column : 1),
                 error ? "" : "warning: ", PW_ARG(pw_get_text(finding, "message")));
        said = true;
    }
    return said;
}

int session_deploy(cli_session *session, const char *path, pw_str text, pw_value *out)
{
    cli_app *cli = session->cli;
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    pawl_error err;
    pw_value request =
        pw_object_of(&cli->arena,
                     (pw_member[]){ { PW_LIT("command"), pw_string_ref(PW_LIT("deploy")) },
                                    { PW_LIT("text"), pw_string_ref(text) } },
                     2);
    pawl_code code = session_call(session, request, out, &err);
    if (code == PAWL_OK) {
        if (pw_is(pw_get_lit(*out, "created"), PW_TRUE))
            (void)say_findings(session, name, false);
        return EXIT_DONE;
    }
    if (code == PAWL_INVALID && say_findings(session, name, true))
        return EXIT_USAGE;
    (void)pw_error_context(&err, code, "%s", name);
    return cli_fail_error(cli, &err);
}

uint64_t session_slice_ms(const cli_session *session)
{
    return session->remote ? SERVER_SLICE_MS : session->p ? SLICE_MS : OWNER_SLICE_MS;
}

/* PAWL_TIMEOUT: its token is the same still. */
static pawl_code wait_moved(cli_session *session, pw_str id, int64_t token, uint64_t most_ms,
                            pawl_error *err)
{
    cli_app *cli = session->cli;
    cli_request request;
    pw_value answer;
    request_begin(cli, &request, "wait");
    request_add(&request, "id", pw_string_ref(id));
    request_text(&request, "for", "moved");
    request_add(&request, "token", pw_int(token));
    request_add(&request, "timeoutMs", pw_int((int64_t)most_ms));
    if (session->remote)
        remote_patient(session->remote, true);
    return session_call(session, pw_object_end(&request), &answer, err);
}

pawl_code session_wait_moved(cli_session *session, pw_str id, int64_t token, pawl_error *err)
{
    cli_app *cli = session->cli;
    if (session->remote || !session->look)
        return wait_moved(session, id, token, session_slice_ms(session), err);
    /* A store that is only read tells nobody when it changes. */
    cli_request request;
    pw_value answer;
    pause_ms(SLICE_MS);
    request_begin(cli, &request, "head");
    request_add(&request, "id", pw_string_ref(id));
    pawl_code code = session_call(session, pw_object_end(&request), &answer, err);
    int64_t now = token;
    if (code == PAWL_OK && pw_integer(pw_get_lit(answer, "token"), &now) && now == token)
        return pw_fail(err, PAWL_TIMEOUT, "it has not moved");
    return code;
}

/* Until the instance is where it shall be, or a signal came. */
static pawl_code wait_there(cli_session *session, pw_str id, const char *what, pw_value *out,
                            pawl_error *err)
{
    cli_app *cli = session->cli;
    if (session->remote)
        remote_patient(session->remote, true);
    pw_arena_mark mark = pw_arena_at(&cli->arena);
    for (int lost = 0;;) {
        bool owned = session->p || session->remote;
        cli_request request;
        request_begin(cli, &request, "wait");
        request_add(&request, "id", pw_string_ref(id));
        request_text(&request, "for", what);
        bool watched = session->on_slice && !session->p;
        request_add(&request, "timeoutMs",
                    pw_int(watched ? WATCHED_MS : (int64_t)session_slice_ms(session)));
        pawl_code code = session_call(session, pw_object_end(&request), out, err);
        if (watched && (code == PAWL_OK || code == PAWL_TIMEOUT))
            session->on_slice(session, id);
        if (cli_interrupted())
            return code;
        if (code == PAWL_IO && !owned && lost++ < OWNERS_LOST_MAX) {
            pause_ms(
                LOOK_AGAIN_MS); /* it died while we waited; to wait is harmless: who is next? */
            continue;
        }
        if (code != PAWL_TIMEOUT)
            return code;
        pw_arena_rewind(&cli->arena, mark);
    }
}

/* Jobs that some worker has, or may have soon, or that nobody asks for. */
static void look_for_jobs(pw_value instance, bool *worked_on, bool *unwanted)
{
    pw_value waits = pw_get_lit(instance, "waits");
    *worked_on = *unwanted = false;
    for (uint32_t i = 0; pw_is(waits, PW_ARRAY) && i < waits.count; i++) {
        pw_value wait = pw_item(waits, i);
        if (pw_get_text(wait, "job").len == 0)
            continue;
        if (pw_get_text(wait, "reason").len > 0)
            *unwanted = true;
        else
            *worked_on = true;
    }
}

/* To the engine, an instance that waits for a worker has settled. Who waits for it wants to know
 * how the work ends, if there is a worker. One that is between two jobs asks for the next in a
 * moment. */
pawl_code session_wait(cli_session *session, pw_str id, const char *what, pw_value *out,
                       pawl_error *err)
{
    pw_arena_mark mark = pw_arena_at(&session->cli->arena);
    int64_t unwanted_since = 0, unwanted_at = 0;
    for (;;) {
        int64_t token = 0;
        bool worked_on, unwanted;
        pawl_code code = wait_there(session, id, what, out, err);
        if (code != PAWL_OK || cli_interrupted() || strcmp(what, "settled") != 0)
            return code;
        look_for_jobs(*out, &worked_on, &unwanted);
        (void)pw_integer(pw_get_lit(*out, "token"), &token);
        if (unwanted && unwanted_at != token) {
            unwanted_at = token;
            unwanted_since = cli_now_ms();
        }
        if (!worked_on && (!unwanted || cli_now_ms() - unwanted_since >= WORKERS_MS))
            return PAWL_OK;
        pw_arena_rewind(&session->cli->arena, mark);
        code = wait_moved(session, id, token, SLICE_MS, err);
        if (code != PAWL_OK && code != PAWL_TIMEOUT)
            return code;
    }
}

void session_drain(cli_session *session)
{
    pawl_error err;
    while (session->p && !cli_interrupted() &&
           pawl_drain(session->p, SLICE_MS, &err) == PAWL_TIMEOUT)
        continue;
}

/* ---- one question */

int cli_ask(cli_app *cli, cli_way way, pw_value request,
            void (*print)(cli_app *cli, pw_value answer))
{
    cli_session session = { .cli = cli,
                            .look = way == CLI_LOOK || way == CLI_ASK_OWNER,
                            .ask_owner = way == CLI_ASK_OWNER,
                            .create = way == CLI_CREATE };
    if (session.look)
        cli_hear_signals(0); /* who only looks ends at once: the answer may be long in coming */
    int code = session_open(&session);
    if (code != EXIT_DONE)
        return code;
    pw_value answer;
    pawl_error err;
    if (session_call(&session, request, &answer, &err) != PAWL_OK)
        code = cli_fail_error(cli, &err);
    else if (cli->json)
        out_json(answer, PW_JSON_COMPACT);
    else
        print(cli, answer);
    session_close(&session);
    return code;
}

void cli_say_more(cli_app *cli, pw_value page)
{
    pw_str next = pw_get_text(page, "next");
    if (next.len > 0)
        cli_note("pawl %s: there are more: pawl %s --after " PW_FMT PW_FMT, cli->command->name,
                 cli->command->name, PW_ARG(cli_quoted(&cli->arena, next)),
                 PW_ARG(cli_store_words(cli)));
}
