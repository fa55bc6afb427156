/* serve.c - `pawl serve`: owns a store, and takes commands by HTTP and by the store's socket until
 * it is told to stop.
 *
 * The first SIGTERM or SIGINT ends it: nothing new is taken, what is being carried out is answered,
 * polls and waits are answered as they stand, all within Server:ShutdownTimeout; what is not done
 * by then is taken up at the next start. The second one ends it at once, and loses as little: what
 * was answered is committed. SIGHUP reads the configuration again. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "cli/notify.h"
#include "cli/settings.h"

#define DOCUMENT_MAX ((size_t)16 << 20)

typedef struct serving {
    cli_app *cli;
    pawl_config *config;
    pawl *p;
    pawl_control *control;
    pawl_server *server;
} serving;

/* ---- the log */

static void say_as(const char *level, const char *event, const char *text)
{
    pawl_logging_line(level, "server", event, NULL, text, NULL);
}

PW_PRINTF(3, 4) static void say_printf(const char *level, const char *event, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    const int n = vasprintf(&text, format, args);
    va_end(args);
    if (n >= 0)
        say_as(level, event, text);
    free(text);
}

static void say_wrong(const char *line)
{
    say_as("error", "server.configuration", line);
}

static int start_log(serving *s)
{
    pawl_error err;
    const pawl_logging logging = { .struct_size = sizeof logging,
                                   .level = pawl_config_string(s->config, "Logging:Level"),
                                   .format = pawl_config_string(s->config, "Logging:Format") };
    return pawl_logging_start(&logging, &err) == PAWL_OK ? EXIT_DONE : cli_fail_error(s->cli, &err);
}

/* ---- signals: flags, and a descriptor that wakes whoever waits */

static volatile sig_atomic_t stop_signal, reload_wanted;
static int wake_fd = -1;

static void wake(void)
{
    const int before = errno;
    const uint64_t one = 1;
    const ssize_t written = write(wake_fd, &one, sizeof one);
    (void)written; /* it is full of wakes already */
    errno = before;
}

static void on_stop(int number)
{
    if (stop_signal != 0)
        _exit(128 + number); /* asked twice: at once. Everything that counts is committed */
    stop_signal = number;
    wake();
}

static void on_reload(int number)
{
    (void)number;
    reload_wanted = 1;
    wake();
}

static void on_time_over(int number)
{
    static const char line[] =
        "pawl serve: the time to stop is over: what is left is taken up at the next start\n";
    (void)number;
    const ssize_t written = write(STDERR_FILENO, line, sizeof line - 1);
    (void)written;
    _exit(EXIT_DONE);
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler };
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL);
}

static int catch_signals(cli_app *cli)
{
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0)
        return cli_fail(cli, EXIT_TROUBLE, "cannot make an event: %s", strerror(errno));
    handle(SIGTERM, on_stop);
    handle(SIGINT, on_stop);
    handle(SIGHUP, on_reload);
    const int before = cli_interrupted(); /* what came before we looked */
    if (before == SIGHUP)
        reload_wanted = 1;
    else if (before != 0)
        stop_signal = before;
    return EXIT_DONE;
}

/* ---- starting */

/* All are checked before the store is touched. */
static int check_definitions(serving *s, pw_str **texts)
{
    *texts = PW_NEW_ARRAY(&s->cli->arena, pw_str, s->cli->given_count + 1);
    for (uint32_t i = 0; i < s->cli->given_count; i++) {
        const cli_given *given = &s->cli->given[i];
        if (strcmp(given->name, "deploy") != 0)
            continue;
        int code = cli_read_file(s->cli, given->value, DOCUMENT_MAX, &(*texts)[i]);
        if (code == EXIT_DONE)
            code = cli_check_definition(s->cli, given->value, (*texts)[i]);
        if (code != EXIT_DONE)
            return code;
    }
    return EXIT_DONE;
}

static int deploy_definitions(serving *s, const pw_str *texts)
{
    cli_session session = { .cli = s->cli, .p = s->p };
    for (uint32_t i = 0; i < s->cli->given_count; i++) {
        if (strcmp(s->cli->given[i].name, "deploy") != 0)
            continue;
        pw_value answer;
        int code = session_deploy(&session, s->cli->given[i].value, texts[i], &answer);
        if (code != EXIT_DONE)
            return code;
    }
    return EXIT_DONE;
}

static int open_store(serving *s)
{
    cli_app *cli = s->cli;
    pawl_error err;
    pawl_options options = pawl_options_default();
    pawl_config_options(s->config, &options);
    cli->db = pawl_config_string(s->config, "Store:Uri");
    if (cli->db[0] == '\0')
        return cli_fail(cli, EXIT_USAGE,
                        "which store? Give --db sqlite:PATH, or set PAWL_DB or Store:Uri");
    if (!cli_knows_store(cli))
        return EXIT_USAGE;
    options.store = cli->db;
    pawl_code code = pawl_open(&s->p, &options, &err);
    if (code == PAWL_OK)
        code = pawl_config_apply(s->config, s->p, &err);
    if (code == PAWL_OK)
        return EXIT_DONE;
    (void)cli_fail_error(cli, &err);
    return EXIT_TROUBLE; /* "not a store of ours" is no matter of usage here */
}

/* What we listen at, in one line: whoever started us may wait for it. */
static int say_ready(serving *s)
{
    const char *addresses = pawl_server_addresses(s->server);
    if (s->cli->json) {
        pw_array_builder list = { .arena = &s->cli->arena };
        for (const char *at = addresses; *at;) {
            const size_t len = strcspn(at, ",");
            pw_array_add(&list, pw_string(&s->cli->arena, (pw_str){ at, len }));
            at += len + (at[len] == ',');
        }
        out_json(pw_object_of(
                     &s->cli->arena,
                     (pw_member[]){ { PW_LIT("listening"), pw_array_end(&list) },
                                    { PW_LIT("store"), pw_string_ref(pw_str_of(pawl_store(s->p))) },
                                    { PW_LIT("pid"), pw_int(getpid()) } },
                     3),
                 PW_JSON_COMPACT);
    } else {
        out_text("listening at ");
        out_text(addresses);
        out_text("\n");
    }
    say_printf("info", "server.listening", "listening at %s, store %s", addresses, pawl_store(s->p)[0] ? pawl_store(s->p) : "memory:");
    if (pawl_config_flag(s->config, "Server:Insecure") &&
        !pawl_config_flag(s->config, "Server:Authentication"))
        say_as("warning", "server.insecure", "insecure: whoever reaches it may do everything with the store");
    notify("READY=1");
    return out_end(EXIT_DONE);
}

static int start(serving *s, const pw_str *definitions)
{
    pawl_error err;
    int code = open_store(s);
    if (code == EXIT_DONE)
        code = deploy_definitions(s, definitions);
    if (code != EXIT_DONE || stop_signal != 0)
        return code;
    if (pawl_store(s->p)[0] != '\0' && pawl_control_open(&s->control, s->p, &err) != PAWL_OK) {
        s->control = NULL;
        say_printf("warning", "server.no-socket", "other processes cannot send commands by the store's socket: %s", err.message);
    }
    if (pawl_server_open(&s->server, s->p, s->config, &err) != PAWL_OK) {
        s->server = NULL;
        return cli_fail_error(s->cli, &err);
    }
    return say_ready(s);
}

/* ---- running */

static void say_changes(serving *s, pw_value changes, const char *list, const char *words)
{
    pw_value items = pw_get_lit(changes, list);
    for (uint32_t i = 0; pw_is(items, PW_ARRAY) && i < items.count; i++) {
        pw_value item = pw_item(items, i);
        pw_arena *arena = &s->cli->arena;
        say_printf("info", "server.setting", "%s: " PW_FMT " from " PW_FMT " to " PW_FMT, words,
                   PW_ARG(pw_get_text(item, "key")),
                   PW_ARG(pw_json_text(arena, pw_get_lit(item, "from"), PW_JSON_COMPACT)),
                   PW_ARG(pw_json_text(arena, pw_get_lit(item, "to"), PW_JSON_COMPACT)));
    }
}

static void reload(serving *s)
{
    pawl_config *fresh = NULL;
    char *text = NULL;
    pawl_error err;
    pw_value changes;
    pw_arena_mark mark = pw_arena_at(&s->cli->arena);
    notify_reloading();
    if (cli_settings(s->cli, &fresh, say_wrong) != EXIT_DONE) {
        say_as("error", "server.reload", "the configuration was not taken: it stays as it was");
    } else if (pawl_config_reload(s->config, fresh, s->p, &text, &err) != PAWL_OK) {
        say_printf("error", "server.reload", "the configuration was not taken: %s", err.message);
    } else if (pw_json_parse(&changes, pw_str_of(text), NULL, &s->cli->arena, &err) == PAWL_OK) {
        say_as("info", "server.reload", "the configuration was read again");
        say_changes(s, changes, "changed", "changed");
        say_changes(s, changes, "restart", "waits for a restart");
    }
    pawl_free(text);
    pawl_config_free(fresh);
    pw_arena_rewind(&s->cli->arena, mark);
    notify("READY=1");
}

static void run_until_stopped(serving *s)
{
    const uint64_t interval_ms = notify_interval_ms();
    while (stop_signal == 0) {
        if (reload_wanted != 0) {
            reload_wanted = 0;
            reload(s);
            continue;
        }
        struct pollfd fd = { .fd = wake_fd, .events = POLLIN };
        const int ready = poll(&fd, 1,
                               interval_ms == 0      ? -1
                               : interval_ms > 60000 ? 60000
                                                     : (int)interval_ms);
        uint64_t wakes;
        if (ready > 0 && read(wake_fd, &wakes, sizeof wakes) < 0)
            continue;
        if (interval_ms > 0)
            notify("WATCHDOG=1");
    }
}

/* ---- stopping */

/* Whatever happens, the process has ended after so long. */
static void limit_time(uint64_t ms)
{
    handle(SIGALRM, on_time_over);
    const struct itimerval timer = { .it_value = { .tv_sec = (time_t)(ms / 1000),
                                                   .tv_usec = (suseconds_t)(ms % 1000 * 1000) } };
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

static void stop(serving *s)
{
    const bool told = stop_signal != 0 && s->p;
    uint64_t all_ms = 0;
    if (told) {
        all_ms = pawl_config_duration_ms(s->config, "Server:ShutdownTimeout");
        notify("STOPPING=1");
        limit_time(all_ms);
        say_as("info", "server.stopping", stop_signal == SIGINT ? "SIGINT: stopping" : "SIGTERM: stopping");
    }
    pawl_control_close(s->control); /* whoever asks there waits for the next owner */
    if (told && s->server)
        pawl_server_drain(
            s->server,
            all_ms - (all_ms / 4 > 2000 ? 2000 : all_ms / 4)); /* the rest is the store's */
    pawl_server_close(s->server);
    pawl_close(s->p);
    if (told)
        say_as("info", "server.stopped", "stopped");
    pawl_logging_stop();
    pawl_config_free(s->config);
}

static int serve(cli_app *cli)
{
    serving s = { .cli = cli };
    pw_str *definitions = NULL;
    int code = catch_signals(cli);
    if (code == EXIT_DONE)
        code = cli_settings(cli, &s.config, NULL);
    if (code == EXIT_DONE)
        code = start_log(&s);
    if (code == EXIT_DONE)
        code = check_definitions(&s, &definitions);
    if (code == EXIT_DONE)
        code = start(&s, definitions);
    if (code == EXIT_DONE)
        run_until_stopped(&s);
    stop(&s);
    return code;
}

// clang-format off
static const cli_option serve_options[] = {
    CLI_SETTINGS_OPTIONS,
    { "deploy", "FILE", NULL, "publish this definition before listening; may be repeated", .many = true },
};

const cli_command command_serve = {
    .name = "serve", .positionals = "", .least = 0, .most = 0, .has_store = true, .local = true, .group = CLI_GROUP_SERVER,
    .run = serve, .options = serve_options, .option_count = PW_LENGTH(serve_options),
    .summary = "own a store, and serve its HTTP API until SIGTERM",
    .text =
        "Makes the store if there is none, goes on with everything in it, and takes commands by HTTP (doc/api.md) and by\n"
        "the store's socket, where the other commands with --db find it. Prints one line on standard output once it\n"
        "listens: `listening at http://127.0.0.1:8080`; what happens goes to standard error.\n"
        "The first SIGTERM or SIGINT stops it in order, within Server:ShutdownTimeout (10 s); the second at once. Nothing\n"
        "is lost either way. SIGHUP reads the configuration again.",
    .examples = "pawl serve --db sqlite:shop.db\npawl serve --config /etc/pawl/pawl.yaml --deploy order.yaml",
    .exits = "0 stopped by SIGTERM or SIGINT; 2 bad usage, configuration or definition; 3 store or system trouble;\n130, 143 stopped at once by the second SIGINT, SIGTERM",
};
// clang-format on
