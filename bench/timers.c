/* timers.c - how late timers are, what a backlog of them costs those who start something, and what a sleeper takes.
 *
 *     bench/timers --dir DIR [--due 1000] [--seconds 30] [--backlog 100000] [--sleepers 1000000]
 *
 *     due       so many timers due each second, at times drawn at random, of instances that are not in memory: from when each
 *               was due until its step is committed
 *     backlog   an engine is opened on a store with so many overdue timers; one thread starts instances meanwhile, one after the
 *               other: how long each start takes, beside the same without a backlog
 *     memory    so many sleepers, due beyond the window and within it: how much more memory the process has then
 *
 * 0 leaves one out. */
#include <getopt.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/engine.h"
#include "measure.h"
#include "policy/retry.h" /* pw_seed_next */

enum { STARTERS = 64, STARTS_ALONE = 2000, AHEAD_MS = 3000, FAR_MS = 3600000 };

typedef struct scene {
    const char *dir;
    unsigned due, seconds, backlog, sleepers;
} scene;

static const char document[] = "document: {dsl: 1.0.3, namespace: bench, name: nap, version: 1.0.0}\n"
                               "do: [{nap: {wait: {milliseconds: '${ .ms }'}}}]\n";

/* ------------------------------------------------------------------ clocks and numbers */

/* Moved by `ahead`: so that what is due in an hour need not be waited for. */
static atomic_ullong ahead_ms;

static uint64_t now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u + atomic_load(&ahead_ms) * 1000u;
}

static uint64_t now_ms(void *clock)
{
    (void)clock;
    return now_us() / 1000u;
}

static void pause_ms(unsigned ms)
{
    (void)nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 }, NULL);
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void print_times(const char *what, uint64_t *us, size_t count)
{
    qsort(us, count, sizeof *us, by_value);
    if (count > 0)
        (void)printf("%-24s %8zu %9.1f %9.1f %9.1f %9.1f\n", what, count, (double)us[count / 2] / 1e3,
                     (double)us[count - 1 - count / 10] / 1e3, (double)us[count - 1 - count / 100] / 1e3,
                     (double)us[count - 1] / 1e3);
}

static void print_head(void)
{
    (void)printf("%-24s %8s %9s %9s %9s %9s   (ms)\n", "", "count", "p50", "p90", "p99", "most");
}

/* ------------------------------------------------------------------ an engine */

static pawl *open_engine(const char *path, void (*on_step)(void *, const char *), void *context)
{
    pawl *p = NULL;
    pawl_error err;
    pawl_options options = pawl_options_default();
    options.store = path;
    options.now_ms = now_ms;
    options.on_step = on_step;
    options.on_step_context = context;
    check(pawl_open(&p, &options, &err), &err);
    return p;
}

static void start(pawl *p, uint64_t ms)
{
    char input[48], *id = NULL;
    pawl_error err;
    (void)snprintf(input, sizeof input, "{\"ms\":%llu}", (unsigned long long)ms);
    const pawl_start_options options = { .struct_size = sizeof options, .name = "nap", .input = input };
    check(pawl_start(p, &options, &id, NULL, &err), &err);
    pawl_free(id);
}

typedef struct crew {
    pawl *p;
    unsigned count;
    uint64_t first_ms, spread_ms; /* due at these times */
    atomic_uint next;
} crew;

static void *start_some(void *context)
{
    crew *c = context;
    uint64_t seed = (uint64_t)(uintptr_t)&seed;
    while (atomic_fetch_add(&c->next, 1) < c->count) {
        const uint64_t at = c->first_ms + pw_seed_next(&seed) % c->spread_ms, now = now_us() / 1000u;
        start(c->p, at > now ? at - now : 1);
    }
    return NULL;
}

static void start_sleepers(pawl *p, unsigned count, uint64_t first_ms, uint64_t spread_ms)
{
    pthread_t threads[STARTERS];
    crew c = { .p = p, .count = count, .first_ms = first_ms, .spread_ms = spread_ms };
    for (size_t i = 0; i < STARTERS; i++)
        if (pthread_create(&threads[i], NULL, start_some, &c) != 0)
            die("cannot start %d threads", STARTERS);
    for (size_t i = 0; i < STARTERS; i++)
        (void)pthread_join(threads[i], NULL);
}

static uint64_t fired(pawl *p)
{
    return pw_histogram_count(&p->lateness);
}


/* ------------------------------------------------------------------ so many a second */

typedef struct sleeper {
    char id[PW_ID_SIZE];
    uint64_t due_ms;
} sleeper;

typedef struct watched {
    sleeper *sleepers; /* by id */
    size_t count;
    uint64_t *late_us;
    atomic_size_t told;
} watched;

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, PW_ID_SIZE - 1);
}

static void on_step(void *context, const char *entries)
{
    watched *w = context;
    const uint64_t now = now_us();
    const char *id = strstr(entries, "\"instance\":\"");
    const sleeper *s = id ? bsearch(id + 12, w->sleepers, w->count, sizeof *w->sleepers, by_id) : NULL;
    if (s)
        w->late_us[atomic_fetch_add(&w->told, 1)] = now > s->due_ms * 1000u ? now - s->due_ms * 1000u : 0;
}

static void read_sleepers(watched *w, const char *path, unsigned count)
{
    pawl_error err;
    pw_store *store = NULL;
    const pw_store_options how = { .uri = pw_str_of(path), .mode = PW_STORE_READ };
    check(pw_store_open(&store, &how, &err), &err);
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_due *rows = NULL;
    check(pw_store_due(store, PW_ALL_PARTITIONS, INT64_MAX, 0, PW_LIT(""), count, &rows, &w->count, &arena, &err), &err);
    w->sleepers = must(calloc(w->count, sizeof *w->sleepers));
    w->late_us = must(calloc(w->count, sizeof *w->late_us));
    for (size_t i = 0; i < w->count; i++) {
        memcpy(w->sleepers[i].id, rows[i].id.ptr, PW_ID_SIZE - 1);
        w->sleepers[i].due_ms = (uint64_t)rows[i].wake_at;
    }
    qsort(w->sleepers, w->count, sizeof *w->sleepers, by_id);
    pw_arena_done(&arena);
    pw_store_close(store);
}

static void deploy(pawl *p)
{
    pawl_error err;
    check(pawl_deploy(p, document, sizeof document - 1, NULL, NULL, NULL, &err), &err);
}

static void measure_due(const scene *s)
{
    char path[4096];
    const unsigned count = s->due * s->seconds;
    (void)bench_file(path, s->dir, "timers.db");
    pawl *p = open_engine(path, NULL, NULL);
    deploy(p);
    start_sleepers(p, count, now_us() / 1000u + FAR_MS, (uint64_t)s->seconds * 1000u);
    pawl_close(p);
    watched w = { 0 };
    read_sleepers(&w, path, count);
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < w.count; i++)
        first = w.sleepers[i].due_ms < first ? w.sleepers[i].due_ms : first;
    atomic_fetch_add(&ahead_ms, first - AHEAD_MS - now_us() / 1000u);
    p = open_engine(path, on_step, &w);
    cost before = measure_now(p->store);
    while (atomic_load(&w.told) < w.count)
        pause_ms(10);
    cost spent = measure_since(&before, p->store);
    print_head();
    print_times("lateness", w.late_us, w.count);
    (void)printf("%u due a second; %.1f us CPU, %.1f statements, %.2f syncs a timer\n", s->due, measure_per(spent.cpu_us, &spent),
                 measure_per(spent.statements, &spent), measure_per(spent.syncs, &spent));
    pawl_close(p);
    free(w.sleepers);
    free(w.late_us);
    bench_remove(path);
}

/* ------------------------------------------------------------------ a backlog */

/* Starts one after the other while `go_on` says so. */
static size_t time_starts(pawl *p, uint64_t **out, bool (*go_on)(pawl *p, size_t done, uint64_t all), uint64_t all)
{
    size_t count = 0, size = 1024;
    uint64_t *us = must(calloc(size, sizeof *us));
    while (go_on(p, count, all)) {
        if (count == size)
            us = must(realloc(us, (size *= 2) * sizeof *us));
        const uint64_t began = now_us();
        start(p, FAR_MS);
        us[count++] = now_us() - began;
    }
    *out = us;
    return count;
}

static bool up_to(pawl *p, size_t done, uint64_t all)
{
    (void)p;
    return done < all;
}

static bool while_backlog(pawl *p, size_t done, uint64_t all)
{
    (void)done;
    return fired(p) < all;
}

static void measure_backlog(const scene *s)
{
    char path[4096];
    (void)bench_file(path, s->dir, "timers.db");
    pawl *p = open_engine(path, NULL, NULL);
    deploy(p);
    start_sleepers(p, s->backlog, now_us() / 1000u + FAR_MS / 2, 1000);
    uint64_t *us = NULL;
    size_t count = time_starts(p, &us, up_to, STARTS_ALONE);
    print_head();
    print_times("start, alone", us, count);
    free(us);
    pawl_close(p);
    atomic_fetch_add(&ahead_ms, FAR_MS / 2 + 10000);
    const uint64_t began = now_us();
    p = open_engine(path, NULL, NULL);
    count = time_starts(p, &us, while_backlog, s->backlog);
    const double seconds = (double)(now_us() - began) / 1e6;
    print_times("start, beside a backlog", us, count);
    (void)printf("backlog of %u: %.1f s, %.0f timers a second\n", s->backlog, seconds, s->backlog / seconds);
    free(us);
    pawl_close(p);
    bench_remove(path);
}

/* ------------------------------------------------------------------ memory */

static size_t resident(void)
{
    unsigned long all = 0, pages = 0;
    (void)malloc_trim(0);
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &all, &pages) != 2)
        die("cannot read /proc/self/statm");
    (void)fclose(file);
    return pages * 4096u;
}

static uint64_t slots(const pawl *p)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < p->shard_count; i++)
        count += p->shards[i]->slot_count;
    return count;
}

static void drain(pawl *p)
{
    pawl_error err;
    check(pawl_drain(p, 600000, &err), &err);
}

static void measure_memory(const scene *s)
{
    char path[4096];
    (void)bench_file(path, s->dir, "timers.db");
    pawl *p = open_engine(path, NULL, NULL);
    deploy(p);
    const uint64_t began = now_us();
    start_sleepers(p, s->sleepers, now_us() / 1000u + FAR_MS * 24, 60000);
    (void)printf("%u sleepers: started in %.0f s\n", s->sleepers, (double)(now_us() - began) / 1e6);
    pawl_close(p);
    p = open_engine(path, NULL, NULL);
    drain(p);
    const size_t base = resident();
    (void)printf("beyond the window: %llu in memory\n", (unsigned long long)slots(p));
    atomic_fetch_add(&ahead_ms, FAR_MS * 24 - 120000);
    uint64_t read = now_us();
    pw_engine_clock_moved(p);
    drain(p);
    read = now_us() - read;
    const uint64_t count = slots(p);
    (void)printf("within it: %llu in memory, %.1f bytes each; read in %.1f s\n", (unsigned long long)count,
                 (double)(resident() - base) / (double)count, (double)read / 1e6);
    pawl_close(p);
    bench_remove(path);
}

static unsigned number(const char *text)
{
    char *end = NULL;
    unsigned long n = strtoul(text, &end, 10);
    if (*end || n > 100000000)
        die("%s: a number up to 100000000", text);
    return (unsigned)n;
}

int main(int argc, char **argv)
{
    scene s = { .due = 1000, .seconds = 30, .backlog = 100000, .sleepers = 1000000 };
    static const struct option options[] = { { "dir", 1, NULL, 'd' },     { "due", 1, NULL, 'u' },      { "seconds", 1, NULL, 's' },
                                             { "backlog", 1, NULL, 'b' }, { "sleepers", 1, NULL, 'l' }, { NULL, 0, NULL, 0 } };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'd')
            s.dir = optarg;
        else if (c == 'u')
            s.due = number(optarg);
        else if (c == 's')
            s.seconds = number(optarg);
        else if (c == 'b')
            s.backlog = number(optarg);
        else if (c == 'l')
            s.sleepers = number(optarg);
        else
            return 2;
    }
    if (!s.dir)
        die("bench/timers --dir DIR [--due 1000] [--seconds 30] [--backlog 100000] [--sleepers 1000000]");
    if (s.due && s.seconds)
        measure_due(&s);
    if (s.backlog)
        measure_backlog(&s);
    if (s.sleepers)
        measure_memory(&s);
    return 0;
}
