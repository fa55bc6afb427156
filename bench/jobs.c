/* jobs.c - what a job for workers costs, beside the same work by a function of the process, and
 * what waits.
 *
 *     bench/jobs --dir DIR [--instances 2000] [--in-flight 256] [--workers 32] [--waiting 1000000]
 * [--polls 10000]
 *
 *     step   ten tasks in a row, each a job that a worker of this process polls for and answers, or
 * a call of a function board  so many jobs wait; then so many polls: memory of each, and what it
 * costs to put one and to hand it out */
#include <getopt.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/engine.h"
#include "load.h"

enum { TASKS = 10, AT_ONCE = 10, HAND_OUTS = 100000 };

/* ------------------------------------------------------------------ workers */

typedef struct crew {
    pawl *p;
    atomic_bool stop;
    atomic_ullong jobs, polls;
} crew;

/* The tokens are where they are in the answer: what a worker does with JSON is not measured. */
static void *be_worker(void *context)
{
    static const char *const functions[] = { "elsewhere" };
    crew *c = context;
    pawl_error err;
    const pawl_poll_options options = { .struct_size = sizeof options,
                                        .functions = functions,
                                        .function_count = 1,
                                        .max = AT_ONCE,
                                        .wait_ms = 200 };
    while (!atomic_load(&c->stop)) {
        char *jobs = NULL;
        check(pawl_jobs_poll(c->p, &options, &jobs, &err), &err);
        atomic_fetch_add(&c->polls, 1);
        char tokens[AT_ONCE][128];
        pawl_job_answer answers[AT_ONCE];
        size_t count = 0;
        for (const char *at = jobs; (at = strstr(at, "{\"token\":\"")) != NULL; count++) {
            at += 10;
            (void)snprintf(tokens[count], sizeof tokens[count], "%.*s", (int)strcspn(at, "\""), at);
            answers[count] = (pawl_job_answer){ .struct_size = sizeof answers[count],
                                                .token = tokens[count],
                                                .result = LOAD_RESULT };
        }
        if (count)
            check(pawl_jobs_answer(c->p, answers, count, NULL, &err), &err);
        for (size_t i = 0; i < count; i++)
            check(answers[i].error.code, &answers[i].error);
        atomic_fetch_add(&c->jobs, count);
        pawl_free(jobs);
    }
    return NULL;
}

static void deploy_elsewhere(load *l)
{
    char *document = load_document(TASKS), *at;
    pw_buf text;
    pw_buf_init(&text, 0);
    char *rest = document;
    while ((at = strstr(rest, "call: " LOAD_ACTIVITY)) != NULL) {
        pw_buf_add(&text, rest, (size_t)(at - rest));
        pw_buf_text(&text, "call: elsewhere");
        rest = at + strlen("call: " LOAD_ACTIVITY);
    }
    pw_buf_text(&text, rest);
    char *changed = must(pw_buf_take(&text));
    char *name = strstr(changed, "name: step");
    memcpy(name, "name: jobs", 10);
    load_deploy(l, changed);
    pw_free(changed);
    pw_free(document);
}

static void print(const char *name, const cost *c)
{
    (void)printf("%-10s %9.0f %9.1f %9.1f %9.1f %9.1f %9.0f\n", name,
                 (double)c->steps / ((double)c->wall_ns / 1e9), measure_per(c->cpu_us, c),
                 measure_per(c->allocations, c), measure_per(c->statements, c),
                 measure_per(c->rows, c), measure_per(c->bytes, c));
}

static void measure_steps(const char *dir, unsigned instances, unsigned in_flight, unsigned workers)
{
    char path[4096];
    load l = { 0 };
    (void)bench_file(path, dir, "jobs.db");
    load_open(&l, path, TASKS);
    deploy_elsewhere(&l);
    crew c = { .p = l.pawl };
    pthread_t *threads = must(calloc(workers, sizeof *threads));
    for (unsigned i = 0; i < workers; i++)
        if (pthread_create(&threads[i], NULL, be_worker, &c) != 0)
            die("cannot start %u workers", workers);
    load_run(&l, "bench/step", instances / 10, in_flight);
    load_run(&l, "bench/jobs", instances / 10, in_flight);
    (void)printf("%-10s %9s %9s %9s %9s %9s %9s\n", "", "steps/s", "us CPU", "allocs", "statements",
                 "rows", "bytes");
    cost function = load_measure(&l, "bench/step", instances, in_flight);
    print("function", &function);
    unsigned long long before = atomic_load(&c.polls), done = atomic_load(&c.jobs);
    cost job = load_measure(&l, "bench/jobs", instances, in_flight);
    print("job", &job);
    done = atomic_load(&c.jobs) - done;
    (void)printf("%llu jobs by %u workers, %.1f a poll\n", done, workers,
                 (double)done / (double)(atomic_load(&c.polls) - before));
    atomic_store(&c.stop, true);
    for (unsigned i = 0; i < workers; i++)
        (void)pthread_join(threads[i], NULL);
    free(threads);
    load_close(&l);
    bench_remove(path);
}

/* ------------------------------------------------------------------ the board alone */

static pw_ticket *wished;
static pw_poll *told;

static uint64_t now_ns(void *context)
{
    (void)context;
    return pw_monotonic_ns();
}

static void on_wish(void *context, pw_ticket *ticket)
{
    (void)context;
    wished = ticket;
}

static void on_poll(void *context, pw_poll *poll)
{
    (void)context;
    told = poll;
}

static void on_sooner(void *context)
{
    (void)context;
}

static void put(pw_board *board, unsigned n)
{
    char id[27];
    (void)snprintf(id, sizeof id, "j%025u", n);
    const pw_ticket_about about = { .instance = { id, 26 },
                                    .table = n % PW_BOARD_TABLES,
                                    .visit = 1,
                                    .attempt = 1,
                                    .function = PW_LIT("pack"),
                                    .namespace_ = PW_LIT("bench"),
                                    .task = PW_LIT("/do/0/pack"),
                                    .since_ms = n };
    pw_board_put(board, must(pw_ticket_new(board, &about)), PW_PUT_FRESH, 0);
}

static void open_poll(pw_board *board, pw_poll *poll)
{
    static const pw_str function = { "pack", 4 };
    const pw_poll_about about = { &function, 1, NULL, 0, 1, 300000, 60000, PW_LIT("worker") };
    pawl_error err;
    check(pw_poll_open(poll, board, &about, &err), &err);
}

static void give(pw_board *board)
{
    pw_board_give(board, wished, must(pw_strdup(PW_LIT("{}"))), 2, 60000);
    pw_poll_done(board, told);
}

static uint64_t cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double per(uint64_t begun_ns, unsigned count)
{
    return (double)(cpu_ns() - begun_ns) / count;
}

static void measure_board(unsigned waiting, unsigned polls)
{
    const pw_board_hooks hooks = { NULL, now_ns, on_wish, on_poll, on_sooner };
    pw_board *board = NULL;
    pawl_error err;
    check(pw_board_new(&board, &hooks, &err), &err);
    size_t bytes = mallinfo2().uordblks;
    uint64_t begun = cpu_ns();
    for (unsigned n = 0; n < waiting; n++)
        put(board, n);
    (void)printf("%u jobs wait: %.0f bytes and %.0f ns of CPU each\n", waiting,
                 (double)(mallinfo2().uordblks - bytes) / waiting, per(begun, waiting));
    pw_poll one;
    begun = cpu_ns();
    unsigned out = waiting < HAND_OUTS ? waiting : HAND_OUTS;
    for (unsigned n = 0; n < out; n++) {
        open_poll(board, &one);
        give(board);
    }
    (void)printf("... a poll and its hand-out: %.0f ns of CPU\n", per(begun, out));
    pw_board_drop(board, UINT64_MAX);
    pw_poll *many = must(calloc(polls, sizeof *many));
    bytes = mallinfo2().uordblks;
    for (unsigned n = 0; n < polls; n++)
        open_poll(board, &many[n]);
    (void)printf("%u polls wait: %.0f bytes each\n", polls,
                 (double)(mallinfo2().uordblks - bytes) / polls + sizeof *many);
    begun = cpu_ns();
    for (unsigned n = 0; n < polls; n++) {
        put(board, n);
        give(board);
    }
    (void)printf("... a job and its hand-out: %.0f ns of CPU\n", per(begun, polls));
    free(many);
    pw_board_free(board);
}

int main(int argc, char **argv)
{
    static const struct option known[] = { { "dir", required_argument, NULL, 'd' },
                                           { "instances", required_argument, NULL, 'i' },
                                           { "in-flight", required_argument, NULL, 'f' },
                                           { "workers", required_argument, NULL, 'w' },
                                           { "waiting", required_argument, NULL, 'j' },
                                           { "polls", required_argument, NULL, 'p' },
                                           { 0 } };
    const char *dir = NULL;
    unsigned instances = 2000, in_flight = 256, workers = 32, waiting = 1000000, polls = 10000;
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        unsigned n = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;
        if (c == 'd')
            dir = optarg;
        else if (c == 'i' && n >= 10)
            instances = n;
        else if (c == 'f' && n)
            in_flight = n;
        else if (c == 'w' && n)
            workers = n;
        else if (c == 'j' && n)
            waiting = n;
        else if (c == 'p' && n)
            polls = n;
        else
            die("usage: jobs --dir DIR [--instances N] [--in-flight N] [--workers N] [--waiting N] "
                "[--polls N]");
    }
    if (!dir)
        die("--dir is missing");
    measure_board(waiting, polls);
    measure_steps(dir, instances, in_flight, workers);
    return 0;
}
