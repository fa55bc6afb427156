/* jobs.c - a program with an engine and a worker in it, which may be killed and started again at
 * any time.
 *
 *     jobs STORE LEDGER COUNT
 *
 * COUNT instances of three jobs each are started under business keys. The worker writes "got TOKEN
 * KEY N" to LEDGER before it answers a job, and "done TOKEN" when it was told that the answer is
 * taken. A second run first says again all that the first has said: what is done must be known as
 * done, what was only got is taken, known, or over. Exit 0: every instance has completed. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "../options.h"

static const char workflow[] =
    "document: { dsl: '1.0.3', namespace: crash, name: boxes, version: '1.0.0' }\n"
    "do:\n"
    "  - pack: { call: pack, with: { n: '${ .n }' }, output: { as: '${ $input }' } }\n"
    "  - both: { fork: { branches: [ { a: { call: pack, with: { n: '${ .n + 100 }' } } },\n"
    "                                { b: { call: pack, with: { n: '${ .n + 200 }' } } } ] } }\n";

static const char *ledger;

static _Noreturn void stop(const char *what, const char *which, const pawl_error *err)
{
    (void)fprintf(stderr, "jobs: %s %s: %s\n", what, which, err->message);
    exit(1);
}

static void note(const char *word, const char *text)
{
    char line[512];
    int len = snprintf(line, sizeof line, "%s %s\n", word, text);
    int fd = open(ledger, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (fd < 0 || write(fd, line, (size_t)len) != len || fsync(fd) != 0 || close(fd) != 0)
        exit(3);
}

static pawl_code answer(pawl *p, const char *token, char **told, pawl_error *err)
{
    return pawl_job_complete(p, token, "{\"packed\":true}", NULL, told, err);
}

/* ------------------------------------------------------------------ what an earlier run has said
 */

static int is_done(const char *token)
{
    char line[512], word[8], known[128];
    int done = 0;
    FILE *file = fopen(ledger, "r");
    while (file && fgets(line, sizeof line, file))
        done |= sscanf(line, "%7s %127s", word, known) == 2 && strcmp(word, "done") == 0 &&
                strcmp(known, token) == 0;
    if (file)
        (void)fclose(file);
    return done;
}

static void say_again(pawl *p)
{
    char line[512], word[8], token[128];
    FILE *file = fopen(ledger, "r");
    while (file && fgets(line, sizeof line, file)) {
        char *told = NULL;
        pawl_error err;
        if (sscanf(line, "%7s %127s", word, token) != 2 || strcmp(word, "got") != 0)
            continue;
        int done = is_done(token);
        pawl_code code = answer(p, token, &told, &err);
        if (code != PAWL_OK && (done || code != PAWL_LOST))
            stop(done ? "an answer that was taken is refused" : "an answer", token, &err);
        if (done && strcmp(told, "{\"repeated\":true}") != 0)
            exit(4); /* it was taken twice */
        pawl_free(told);
    }
    if (file)
        (void)fclose(file);
}

/* ------------------------------------------------------------------ work */

/* "TOKEN KEY N", as JSON text. */
static void do_job(void *context, const char *json)
{
    char text[256], token[128];
    pawl_error err;
    (void)snprintf(text, sizeof text, "%s", json + 1);
    text[strlen(text) - 1] = '\0';
    if (sscanf(text, "%127s", token) != 1)
        exit(5);
    note("got", text);
    pawl_code code = answer(context, token, NULL, &err);
    if (code == PAWL_OK)
        note("done", token);
    else if (code != PAWL_LOST) /* it took longer than its lease */
        stop("an answer", token, &err);
}

static void poll_once(pawl *p)
{
    static const char *const functions[] = { "pack" };
    const pawl_poll_options options = { .struct_size = sizeof options,
                                        .functions = functions,
                                        .function_count = 1,
                                        .max = 2,
                                        .wait_ms = 100,
                                        .lease_ms = 2000 };
    char *jobs = NULL;
    pawl_error err;
    if (pawl_jobs_poll(p, &options, &jobs, &err) != PAWL_OK)
        stop("poll", "", &err);
    if (pawl_eval(".jobs[] | .token + \" \" + .idempotencyKey + \" \" + (.input.n | tostring)",
                  jobs, NULL, do_job, p, &err) != PAWL_OK)
        stop("jobs", jobs, &err);
    pawl_free(jobs);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    ledger = argv[2];
    int count = (int)strtol(argv[3], NULL, 10);
    pawl_options options = test_options();
    const pawl_resilience retries = test_retries(1000); /* attempts end with the process, again and again */
    options.resilience = &retries;
    options.store = argv[1];
    options.step_threads = 2;
    options.job_lease_ms = 100;
    pawl *p;
    pawl_error err;
    if (pawl_open(&p, &options, &err) != PAWL_OK)
        stop("open", argv[1], &err);
    if (pawl_deploy(p, workflow, strlen(workflow), NULL, NULL, NULL, &err) != PAWL_OK)
        stop("deploy", "boxes", &err);
    char **ids = calloc((size_t)count, sizeof *ids);
    for (int n = 0; n < count; n++) {
        char key[32], input[32];
        (void)snprintf(key, sizeof key, "boxes-%d", n);
        (void)snprintf(input, sizeof input, "{\"n\":%d}", n);
        const pawl_start_options start = {
            .struct_size = sizeof start, .name = "crash/boxes", .input = input, .key = key
        };
        if (pawl_start(p, &start, &ids[n], NULL, &err) != PAWL_OK)
            stop("start", key, &err);
    }
    say_again(p);
    for (int n = 0; n < count; n++) {
        pawl_code code;
        while ((code = pawl_wait(p, ids[n], PAWL_WAIT_END, 0, NULL, &err)) == PAWL_TIMEOUT)
            poll_once(p);
        if (code != PAWL_OK)
            stop("wait for", ids[n], &err);
        pawl_free(ids[n]);
    }
    free(ids);
    say_again(p); /* all of it, to instances that have ended */
    pawl_close(p);
    return 0;
}
