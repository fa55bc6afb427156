/* worker.c - `pawl worker`: a command of the user's does the jobs of a function.
 *
 *     main thread:  a slot is free -> poll -> job to a slot, until it is told to stop
 *     each slot:    job -> run the command, with heartbeats -> complete or fail, until the server
 *                   has heard it
 *
 * One connection polls for all slots. A slot has its own memory and its own connection. Only the
 * main thread's session may own the store: slots reach it by its socket like everybody else.
 *
 * The first SIGTERM or SIGINT ends the polling; what runs is finished. The second ends what runs
 * and hands its jobs back, each of which counts as an attempt that failed and may be tried again.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/child.h"
#include "cli/remote.h"

extern char **environ;

enum {
    SLOTS_MAX = 256,
    TICK_MS = 250,
    PAUSE_MS = 250,
    PAUSE_MS_MAX = 10000, /* between polls of a server that is away */
    EXIT_TEMPORARY = 75,  /* EX_TEMPFAIL of sysexits.h */
    FACT_MAX = 64 << 10,  /* bytes of one variable of the environment; what is longer is left out */
    LEASE_MS = 60000,
};
#define OUTPUT_MAX ((size_t)16 << 20)

typedef struct worker worker;

typedef struct slot {
    worker *w;
    pthread_t thread;
    bool begun;
    char *job;   /* JSON, to pawl_free(); NULL: free. Under the lock */
    cli_app cli; /* its own arena */
    cli_session session;
    bool connected;
    pw_value facts;
    int64_t beat_ms; /* when the next heartbeat is due, monotonic */
    bool lost;       /* nobody waits for the result any more */
} slot;

struct worker {
    cli_app *cli;
    cli_session session;
    const char *function, *name, *path;
    uint64_t lease_ms;
    char **argv;
    slot *slots;
    uint32_t count;
    uint64_t jobs_most, jobs; /* 0: no end */
    bool quiet;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a slot got a job, or is free again, or all shall end */
    bool over;
};

static int64_t monotonic_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(uint64_t ms)
{
    struct timespec time = { .tv_sec = (time_t)(ms / 1000),
                             .tv_nsec = (long)(ms % 1000) * 1000000 };
    (void)nanosleep(&time, NULL);
}

static bool told_to_drop(void *context)
{
    (void)context;
    return cli_signals() >= 2;
}

/* The way there or the server is in trouble, which may pass; anything else is an answer. */
static bool may_pass(pawl_code code)
{
    return code == PAWL_IO || code == PAWL_BUSY || code == PAWL_TIMEOUT || code == PAWL_NO_MEMORY;
}

/* ---- one job */

static void told(slot *s, const char *what, pw_str why)
{
    int64_t attempt = 0;
    (void)pw_integer(pw_get_lit(s->facts, "attempt"), &attempt);
    if (!s->w->quiet)
        cli_note("pawl worker: %s of " PW_FMT " " PW_FMT ", attempt %lld: %s%s" PW_FMT,
                 s->w->function, PW_ARG(pw_get_text(s->facts, "instance")),
                 PW_ARG(pw_get_text(s->facts, "task")), (long long)attempt, what,
                 why.len ? ": " : "", PW_ARG(why));
}

/* A message of the slot's to the server, until it is heard or refused. */
static pawl_code tell(slot *s, cli_request *request, pw_value *out, pawl_error *err)
{
    uint64_t pause = PAUSE_MS;
    pw_value all = pw_object_end(request);
    for (;;) {
        pawl_code code = session_call(&s->session, all, out, err);
        if (code == PAWL_OK || !may_pass(code) || told_to_drop(NULL))
            return code;
        pause_ms(pause);
        pause = pause * 2 < PAUSE_MS_MAX ? pause * 2 : PAUSE_MS_MAX;
    }
}

static void about_job(slot *s, cli_request *request, const char *command)
{
    request_begin(&s->cli, request, command);
    request_add(request, "token", pw_get_lit(s->facts, "token"));
    if (!s->cli.server)
        request_text(request, "actor", cli_actor(&s->cli));
}

/* The lease is extended; an answer may say that the work is in vain. Trouble on the way is none of
 * the work's: the first result counts, whoever has the lease. */
static void beat(slot *s)
{
    cli_request request;
    pw_value answer;
    pawl_error err;
    pw_arena_mark mark = pw_arena_at(&s->cli.arena);
    request_begin(&s->cli, &request, "heartbeat-job");
    request_add(&request, "token", pw_get_lit(s->facts, "token"));
    request_add(&request, "leaseMs", pw_int((int64_t)s->w->lease_ms));
    pawl_code code = session_call(&s->session, pw_object_end(&request), &answer, &err);
    if (code == PAWL_OK)
        s->lost = pw_is(pw_get_lit(answer, "cancelled"), PW_TRUE);
    else
        s->lost = !may_pass(code);
    pw_arena_rewind(&s->cli.arena, mark);
    s->beat_ms = monotonic_ms() + (int64_t)(s->w->lease_ms / 3);
}

static bool go_on(void *context)
{
    slot *s = context;
    if (told_to_drop(NULL))
        return false;
    if (monotonic_ms() >= s->beat_ms)
        beat(s);
    return !s->lost;
}

static void add_fact(slot *s, char **env, size_t *count, const char *name, pw_value value)
{
    if (pw_is(value, PW_NONE) || pw_is(value, PW_NULL))
        return;
    pw_str text = pw_is(value, PW_STRING) ? pw_text(value)
                                          : pw_json_text(&s->cli.arena, value, PW_JSON_COMPACT);
    if (text.len > FACT_MAX || memchr(text.ptr, '\0', text.len))
        return;
    size_t len = strlen(name), size = 5 + len + 1 + text.len + 1;
    char *entry = pw_arena_alloc(&s->cli.arena, size);
    (void)snprintf(entry, size, "PAWL_%s=%.*s", name, (int)text.len, text.ptr);
    env[(*count)++] = entry;
}

/* Our environment, and what is known of the job. */
static char **environment(slot *s)
{
    static const char *const facts[][2] = {
        { "FUNCTION", "function" },
        { "NAMESPACE", "namespace" },
        { "WORKFLOW", "name" },
        { "INSTANCE", "instance" },
        { "TASK", "task" },
        { "ATTEMPT", "attempt" },
        { "PRIORITY", "priority" },
        { "IDEMPOTENCY_KEY", "idempotencyKey" },
        { "CORRELATION", "correlation" },
        { "TRACEPARENT", "traceparent" },
        { "DEADLINE", "deadline" },
        { "LAST_ERROR", "lastError" },
    };
    size_t ours = 0, count = 0;
    while (environ[ours])
        ours++;
    char **env = PW_NEW_ARRAY(&s->cli.arena, char *, ours + PW_LENGTH(facts) + 1);
    for (size_t i = 0; i < ours; i++) {
        bool known = false;
        for (size_t f = 0; f < PW_LENGTH(facts) && !known; f++) {
            size_t len = strlen(facts[f][0]);
            known = strncmp(environ[i], "PAWL_", 5) == 0 &&
                    strncmp(environ[i] + 5, facts[f][0], len) == 0 && environ[i][5 + len] == '=';
        }
        if (!known) /* of an outer worker: not this job's */
            env[count++] = environ[i];
    }
    for (size_t f = 0; f < PW_LENGTH(facts); f++)
        add_fact(s, env, &count, facts[f][0], pw_get_lit(s->facts, facts[f][1]));
    return env;
}

static void complete(slot *s, pw_value result)
{
    cli_request request;
    pw_value answer;
    pawl_error err;
    about_job(s, &request, "complete-job");
    request_add(&request, "result", result);
    pawl_code code = tell(s, &request, &answer, &err);
    if (code == PAWL_OK)
        told(s, "done", PW_LIT(""));
    else
        told(s, code == PAWL_LOST ? "done, too late" : "done, and not taken",
             pw_str_of(err.message));
}

static void fail(slot *s, pw_value error, const char *title, pw_str detail, bool retryable)
{
    static const char *const known[] = { "status", "type", "title", "detail" };
    cli_request request;
    pw_value answer;
    pawl_error err;
    about_job(s, &request, "fail-job");
    for (size_t i = 0; i < PW_LENGTH(known); i++) {
        pw_value said = pw_get_lit(error, known[i]);
        if (!pw_is(said, i == 0 ? PW_NUMBER : PW_STRING))
            said = (pw_value){ 0 };
        if (pw_is(said, PW_NONE) && i >= 2)
            said = i == 2 ? pw_string_ref(pw_str_of(title)) : pw_string_ref(detail);
        request_add(&request, known[i], said);
    }
    request_add(&request, "retryable", pw_bool(retryable));
    pawl_code code = tell(s, &request, &answer, &err);
    if (code == PAWL_OK)
        told(s, retryable ? "failed, to be tried again" : "failed", pw_str_of(title));
    else
        told(s, code == PAWL_LOST ? "failed, too late" : "failed, and not taken",
             pw_str_of(err.message));
}

/* The end of what it wrote to standard error, as text of one or more whole lines where it can be.
 */
static pw_str last_words(slot *s, const child_end *end)
{
    pw_str text = pw_str_of(end->tail);
    while (text.len > 0 && strchr("\r\n \t", text.ptr[text.len - 1]))
        text.len--;
    const char *newline = text.len >= CHILD_TAIL / 2 ? memchr(text.ptr, '\n', text.len) : NULL;
    if (newline) {
        text.len -= (size_t)(newline + 1 - text.ptr);
        text.ptr = newline + 1;
    }
    return pw_utf8_valid(text) ? pw_arena_str(&s->cli.arena, text) : cli_safe(&s->cli.arena, text);
}

static void judge(slot *s, const child_end *end)
{
    pw_arena *arena = &s->cli.arena;
    pw_value result = pw_null(), none = { 0 };
    pw_str text = pw_buf_view(&end->output), why = last_words(s, end);
    size_t blank = 0;
    while (blank < text.len && strchr(" \t\r\n", text.ptr[blank]))
        blank++;
    pawl_error wrong;
    pawl_code json =
        blank == text.len ? PAWL_OK : pw_json_parse(&result, text, NULL, arena, &wrong);
    if (s->lost) {
        told(s, "given up, since nobody waits for it", PW_LIT(""));
    } else if (end->not_started) {
        fail(s, none, pw_arena_printf(arena, "cannot run %s", s->w->argv[0]).ptr,
             pw_str_of(strerror(end->not_started)), true);
    } else if (end->stopped) {
        fail(s, none, "the worker was stopped", why, true);
    } else if (end->too_large) {
        fail(s, none, "the result is larger than 16 MiB", why, false);
    } else if (end->signal) {
        fail(s, none,
             pw_arena_printf(arena, "%s was ended by signal %d", s->w->argv[0], end->signal).ptr,
             why, true);
    } else if (end->exit_code != 0) {
        fail(s, json == PAWL_OK ? result : none,
             pw_arena_printf(arena, "%s ended with %d", s->w->argv[0], end->exit_code).ptr, why,
             end->exit_code == EXIT_TEMPORARY);
    } else if (json != PAWL_OK) {
        fail(s, none, "the result is no JSON", pw_str_of(wrong.message), false);
    } else {
        complete(s, result);
    }
}

static void work(slot *s, const char *job)
{
    pw_arena *arena = &s->cli.arena;
    if (pw_json_parse(&s->facts, pw_str_of(job), NULL, arena, NULL) != PAWL_OK)
        return; /* it was written by us */
    pw_value input = pw_get_lit(s->facts, "input");
    s->lost = false;
    s->beat_ms = monotonic_ms() + (int64_t)(s->w->lease_ms / 3);
    child_options options = {
        .path = s->w->path,
        .argv = s->w->argv,
        .env = environment(s),
        .input = pw_json_text(arena, pw_is(input, PW_NONE) ? pw_null() : input, PW_JSON_COMPACT),
        .output_max = OUTPUT_MAX,
        .tick_ms = s->w->lease_ms / 4 < TICK_MS ? (uint32_t)(s->w->lease_ms / 4) : TICK_MS,
        .go_on = go_on,
        .context = s,
    };
    child_end end;
    child_run(&end, &options);
    judge(s, &end);
    pw_buf_done(&end.output);
}

/* ---- slots */

static void *slot_loop(void *argument)
{
    slot *s = argument;
    worker *w = s->w;
    jmp_buf out_of_memory;
    if (setjmp(out_of_memory)) {
        (void)cli_fail(&s->cli, EXIT_TROUBLE, "out of memory");
        _exit(EXIT_TROUBLE); /* jobs that run come back when their leases are over */
    }
    (void)pw_arena_guard(&s->cli.arena, &out_of_memory);
    pw_arena_mark mark = pw_arena_at(&s->cli.arena);
    (void)pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!s->job && !w->over)
            (void)pthread_cond_wait(&w->changed, &w->lock);
        if (!s->job)
            break;
        (void)pthread_mutex_unlock(&w->lock);
        work(s, s->job);
        pw_arena_rewind(&s->cli.arena, mark);
        (void)pthread_mutex_lock(&w->lock);
        pawl_free(s->job);
        s->job = NULL;
        (void)pthread_cond_broadcast(&w->changed);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

static int open_slot(worker *w, slot *s)
{
    s->w = w;
    s->cli = *w->cli;
    pw_arena_init(&s->cli.arena, 0);
    s->session = (cli_session){ .cli = &s->cli, .store = w->session.store, .never_own = true };
    int code = session_open(&s->session);
    if (code != EXIT_DONE)
        return code;
    if (s->session.remote)
        remote_stop(s->session.remote, told_to_drop, NULL);
    sigset_t signals, before; /* the main thread's */
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, &before);
    s->begun = pthread_create(&s->thread, NULL, slot_loop, s) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return s->begun ? EXIT_DONE : cli_fail(w->cli, EXIT_TROUBLE, "cannot start a thread");
}

static void close_slots(worker *w)
{
    (void)pthread_mutex_lock(&w->lock);
    w->over = true;
    (void)pthread_cond_broadcast(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->slots[i].begun)
            (void)pthread_join(w->slots[i].thread, NULL);
        session_close(&w->slots[i].session);
        pw_arena_done(&w->slots[i].cli.arena);
    }
}

static uint32_t free_slots(const worker *w)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->count; i++)
        n += w->slots[i].job == NULL;
    return n;
}

/* Waits until as many are free, at most a moment, so that signals are noticed. */
static uint32_t wait_for_free(worker *w, uint32_t wanted)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)pthread_mutex_lock(&w->lock);
    uint32_t n = free_slots(w);
    if (n < wanted) {
        (void)pthread_cond_timedwait(&w->changed, &w->lock, &until);
        n = free_slots(w);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return n;
}

static void hand_out(worker *w, pw_value jobs)
{
    uint32_t at = 0;
    (void)pthread_mutex_lock(&w->lock);
    for (uint32_t i = 0; pw_is(jobs, PW_ARRAY) && i < jobs.count; i++) {
        while (at < w->count && w->slots[at].job)
            at++;
        if (at == w->count)
            break; /* more than were asked for: they come back when their leases are over */
        w->slots[at].job =
            pw_strdup(pw_json_text(&w->cli->arena, pw_item(jobs, i), PW_JSON_COMPACT));
        w->jobs++;
    }
    (void)pthread_cond_broadcast(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
}

/* ---- polling */

static pawl_code poll_once(worker *w, uint32_t most, pawl_error *err)
{
    cli_app *cli = w->cli;
    cli_request request;
    pw_value answer, function = pw_string_ref(pw_str_of(w->function));
    request_begin(cli, &request, "poll");
    request_add(&request, "functions", pw_array(&cli->arena, &function, 1));
    request_add(&request, "max", pw_int(most));
    request_add(&request, "waitMs", pw_int((int64_t)session_slice_ms(&w->session)));
    request_add(&request, "leaseMs", pw_int((int64_t)w->lease_ms));
    request_text(&request, "worker", w->name);
    if (!cli->server)
        request_text(&request, "actor", cli_actor(cli));
    pawl_code code = session_call(&w->session, pw_object_end(&request), &answer, err);
    if (code == PAWL_OK)
        hand_out(w, pw_get_lit(answer, "jobs"));
    return code;
}

static int poll_on(worker *w)
{
    uint64_t pause = PAUSE_MS;
    bool away = false;
    pw_arena_mark mark = pw_arena_at(&w->cli->arena);
    while (!cli_interrupted() && (w->jobs_most == 0 || w->jobs < w->jobs_most)) {
        pawl_error err;
        uint32_t most = wait_for_free(w, 1);
        if (w->jobs_most && most > w->jobs_most - w->jobs)
            most = (uint32_t)(w->jobs_most - w->jobs);
        if (most == 0)
            continue;
        pawl_code code = poll_once(w, most > 100 ? 100 : most, &err);
        pw_arena_rewind(&w->cli->arena, mark);
        if (cli_interrupted())
            break;
        if (code == PAWL_OK) {
            if (away && !w->quiet)
                cli_note("pawl worker: there is work again");
            away = false;
            pause = PAUSE_MS;
            continue;
        }
        if (!may_pass(code))
            return cli_fail_error(w->cli, &err);
        if (!away)
            cli_note("pawl worker: %s; trying again", err.message);
        away = true;
        for (uint64_t left = pause; left > 0 && !cli_interrupted(); left -= left < 250 ? left : 250)
            pause_ms(left < 250 ? left : 250);
        pause = pause * 2 < PAUSE_MS_MAX ? pause * 2 : PAUSE_MS_MAX;
    }
    return EXIT_DONE;
}

static int work_on(worker *w)
{
    cli_app *cli = w->cli;
    w->slots = PW_NEW_ARRAY(&cli->arena, slot, w->count);
    int code = EXIT_DONE;
    uint32_t count = w->count;
    for (w->count = 0; w->count < count && code == EXIT_DONE; w->count++)
        code = open_slot(w, &w->slots[w->count]);
    if (code == EXIT_DONE) {
        if (!w->quiet)
            cli_note("pawl worker: ready for jobs of %s", w->function);
        code = poll_on(w);
    }
    while (wait_for_free(w, w->count) < w->count)
        continue;
    close_slots(w);
    return code;
}

static int worker_run(cli_app *cli)
{
    uint64_t count = 1, lease = LEASE_MS, jobs = 0;
    if (!cli_number(cli, "concurrency", 1, SLOTS_MAX, 1, &count) ||
        !cli_time(cli, "lease", LEASE_MS, &lease) ||
        !cli_number(cli, "jobs", 1, UINT32_MAX, 0, &jobs))
        return EXIT_USAGE;
    if (lease < 100 || lease > 3600000)
        return cli_fail(cli, EXIT_USAGE, "option '--lease' is a time from 100ms to 1h");
    if (cli->db && strcmp(cli->db, "memory:") == 0)
        return cli_fail(cli, EXIT_USAGE, "a worker needs a store that stays, or a server");
    char host[64] = "";
    (void)gethostname(host, sizeof host - 1);
    const char *name = cli_value(cli, "name");
    worker w = {
        .cli = cli,
        .session = { .cli = cli, .long_lived = true, .job_lease_ms = lease },
        .function = cli->positionals[0],
        .name = name ? name : pw_arena_printf(&cli->arena, "%s:%ld", host, (long)getpid()).ptr,
        .lease_ms = lease,
        .count = (uint32_t)count,
        .jobs_most = jobs,
        .quiet = cli_flag(cli, "quiet"),
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
    };
    w.argv = PW_NEW_ARRAY(&cli->arena, char *, cli->positional_count);
    for (uint32_t i = 1; i < cli->positional_count; i++)
        memcpy(&w.argv[i - 1], &cli->positionals[i],
               sizeof w.argv[0]); /* execve promises not to write */
    PW_AUTO(pw_free_text) char *path = child_find(w.argv[0]);
    if (!path)
        return cli_fail(cli, EXIT_USAGE, "cannot run '%s': %s", w.argv[0], strerror(errno));
    w.path = path;
    int code = session_open(&w.session);
    if (code != EXIT_DONE)
        return code;
    if (w.session.p && !w.session.control)
        code = cli_fail(cli, EXIT_TROUBLE, "the store has no socket, which a worker needs");
    cli_hear_signals(2);
    if (code == EXIT_DONE)
        code = work_on(&w);
    session_close(&w.session);
    return code;
}

// clang-format off
static const cli_option options[] = {
    { "concurrency", "N", NULL, "jobs at once; 1" },
    { "lease", "TIME", NULL, "a job without a heartbeat for so long goes to another worker; 60s" },
    { "name", "NAME", NULL, "of this worker, for people to see; else host and process" },
    { "jobs", "N", NULL, "end after so many jobs" },
    { "quiet", NULL, NULL, "do not say on standard error what becomes of each job" },
    { "actor", "NAME", NULL, "who gives the results, for the log; else the user's name; not with a server, which knows" },
};

const cli_command command_worker = {
    .name = "worker", .positionals = "FUNCTION -- COMMAND...", .least = 2, .most = UINT32_MAX, .has_store = true,
    .group = CLI_GROUP_WORKERS, .run = worker_run, .options = options, .option_count = PW_LENGTH(options),
    .summary = "do the jobs of a function with a command of yours",
    .text =
        "`call: FUNCTION` in a workflow makes a job. For each job COMMAND is run, with the task's input as JSON on\n"
        "standard input, and the job's facts in PAWL_FUNCTION, PAWL_INSTANCE, PAWL_TASK, PAWL_ATTEMPT,\n"
        "PAWL_IDEMPOTENCY_KEY, PAWL_DEADLINE and others. Exit code 0: its standard output, JSON or nothing, is the\n"
        "result. 75: try again later, as after a signal. Another: the task has failed, with the end of standard\n"
        "error as detail, or with status, title, detail and type as a JSON object on standard output says.\n"
        "Heartbeats are sent while it runs; if nobody waits for the result any more it is told to end, by SIGTERM\n"
        "and 5 s later by SIGKILL, with all its group. A job may come twice: after a crash, or a lost answer.\n"
        "SIGTERM takes no more jobs and finishes what runs; a second one hands it back as failed, to be tried again.",
    .examples =
        "pawl worker charge --server https://pawl.example:8443 --token-file worker.token -- ./charge.py\n"
        "pawl worker thumbnail --concurrency 4 --lease 5m --db sqlite:shop.db -- sh -c 'jq .file | xargs convert'",
    .exits = "0 told to end, and all is finished, or --jobs are done; 2 usage, or not allowed; 3 store or system trouble",
};
// clang-format on
