/* cleanup.c - what it costs a step that old instances are deleted beside it.
 *
 *     bench/cleanup --dir DIR [--old 100000] [--threads 4] [--batch 100]
 *
 * A store gets so many instances that have ended. Two days later so many threads start instances, one after the other each, first
 * alone, then while a run of the cleanup deletes the old ones but for their logs, then while a run deletes their logs; the two as long as
 * the run takes, the first as long as ten seconds. Printed are the median, the 99th percentile and the most of the time of a start - one
 * step, committed - and how many instances, or steps of logs, went in a second. */
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/engine.h"
#include "measure.h"

enum { THREADS_MAX = 64, TIMES_MAX = 2000000, ALONE_S = 10 };
#define DAY_MS UINT64_C(86400000)

static struct {
    pawl *p;
    atomic_bool stop;
    atomic_uint count;
    uint32_t *us; /* of each start */
    uint64_t later_ms;
} scene;

static uint64_t now_ms(void *clock)
{
    struct timespec now;
    (void)clock;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + scene.later_ms;
}

static uint64_t monotonic_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void start_one(void)
{
    char *id = NULL;
    pawl_error err;
    const pawl_start_options options = { .struct_size = sizeof options, .name = "work", .input = "{\"n\":1}" };
    check(pawl_start(scene.p, &options, &id, NULL, &err), &err);
    pawl_free(id);
}

static void *start_many(void *unused)
{
    while (!atomic_load(&scene.stop)) {
        const uint64_t begun = monotonic_us();
        start_one();
        const unsigned at = atomic_fetch_add(&scene.count, 1);
        if (at < TIMES_MAX)
            scene.us[at] = (uint32_t)(monotonic_us() - begun);
    }
    return unused;
}

static int by_value(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* What goes on while `beside` does. */
static void measure(const char *name, unsigned threads, uint64_t (*beside)(void))
{
    pthread_t all[THREADS_MAX];
    atomic_store(&scene.stop, false);
    atomic_store(&scene.count, 0);
    const uint64_t begun = monotonic_us();
    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&all[i], NULL, start_many, NULL) != 0)
            die("no thread");
    const uint64_t went = beside();
    const double seconds = (double)(monotonic_us() - begun) / 1e6;
    atomic_store(&scene.stop, true);
    for (unsigned i = 0; i < threads; i++)
        (void)pthread_join(all[i], NULL);
    unsigned count = atomic_load(&scene.count);
    count = count < TIMES_MAX ? count : TIMES_MAX;
    if (count == 0)
        die("nothing was started");
    qsort(scene.us, count, sizeof *scene.us, by_value);
    (void)printf("%-22s %10.0f %10.2f %10.2f %10.2f %12.0f\n", name, count / seconds, scene.us[count / 2] / 1e3,
                 scene.us[(uint64_t)count * 99 / 100] / 1e3, scene.us[count - 1] / 1e3, (double)went / seconds);
}

static uint64_t nothing(void)
{
    (void)nanosleep(&(struct timespec){ .tv_sec = ALONE_S }, NULL);
    return 0;
}

static uint64_t number_in(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

static uint64_t clean(void)
{
    char *text = NULL;
    pawl_error err;
    check(pawl_cleanup(scene.p, 0, NULL, NULL, &text, &err), &err);
    const uint64_t went = number_in(text, "\"instances\":") + number_in(text, "\"steps\":");
    pawl_free(text);
    return went;
}

static pawl *open_at(const char *path, uint32_t batch, uint64_t later_ms)
{
    pawl_options options = pawl_options_default();
    pawl_cleanup_settings settings = pawl_cleanup_settings_default();
    pawl_error err;
    pawl *p = NULL;
    scene.later_ms = later_ms;
    settings.instances_ms = DAY_MS;
    settings.steps_ms = 3 * DAY_MS;
    settings.batch = batch;
    options.store = path;
    options.now_ms = now_ms;
    options.cleanup = &settings;
    options.services_off = PAWL_SERVICE_CLEANUP;
    check(pawl_open(&p, &options, &err), &err);
    return p;
}

static void *fill(void *count)
{
    for (unsigned i = 0; i < *(const unsigned *)count; i++)
        start_one();
    return NULL;
}

int main(int argc, char **argv)
{
    static const char text[] = "document: {dsl: 1.0.3, namespace: bench, name: work, version: 1.0.0}\ndo: [{a: {set: {x: 1}}}]\n";
    static const struct option options[] = { { "dir", 1, NULL, 'd' },   { "old", 1, NULL, 'o' }, { "threads", 1, NULL, 't' },
                                             { "batch", 1, NULL, 'b' }, { NULL, 0, NULL, 0 } };
    const char *dir = NULL;
    unsigned old = 100000, threads = 4, batch = 100;
    char path[4096];
    pthread_t all[THREADS_MAX];
    pawl_error err;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        const unsigned n = c == 'd' || c == '?' ? 0 : (unsigned)strtoul(optarg, NULL, 10);
        if (c == '?')
            return 2;
        *(c == 'o' ? &old : c == 't' ? &threads : c == 'b' ? &batch : &(unsigned){ 0 }) = n;
        dir = c == 'd' ? optarg : dir;
    }
    if (!dir || threads < 1 || threads > THREADS_MAX)
        die("bench/cleanup --dir DIR [--old 100000] [--threads 4] [--batch 100]");
    scene.us = must(calloc(TIMES_MAX, sizeof *scene.us));
    (void)bench_file(path, dir, "cleanup.db");
    scene.p = open_at(path, batch, 0);
    check(pawl_deploy(scene.p, text, sizeof text - 1, NULL, NULL, NULL, &err), &err);
    unsigned each = old / THREADS_MAX;
    for (unsigned i = 0; i < THREADS_MAX; i++)
        if (pthread_create(&all[i], NULL, fill, &each) != 0)
            die("no thread");
    for (unsigned i = 0; i < THREADS_MAX; i++)
        (void)pthread_join(all[i], NULL);
    pawl_close(scene.p);
    scene.p = open_at(path, batch, 2 * DAY_MS);
    (void)printf("%-22s %10s %10s %10s %10s %12s\n", "", "starts/s", "median ms", "p99 ms", "most ms", "went/s");
    measure("alone", threads, nothing);
    measure("instances go", threads, clean);
    pawl_close(scene.p);
    scene.p = open_at(path, batch, 4 * DAY_MS);
    measure("instances, logs go", threads, clean);
    pawl_close(scene.p);
    bench_remove(path);
    free(scene.us);
    return 0;
}
