/* flat.c - does the cost of a step stay the same, whatever the instance and the store have grown
 * to?
 *
 *     bench/flat --dir DIR [--steps 3000] [--carry 1048576] [--finished 200000]
 *
 * Each line compares a step in a grown place with one in an empty one, in the same run:
 *     long      the last 500 steps of one instance with its steps 101 to 600; one in flight
 *     carry     an instance with so many bytes of data that no task changes; one in flight
 *     finished  512 in flight beside so many finished instances, filled in by SQL
 * A number of 0 leaves its part out. */
#include <getopt.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/engine.h"
#include "load.h"

enum { WINDOW = 500, FIRST = 100, IN_FLIGHT = 512, TASKS = 10 };

static void tell(const char *name, const cost *small, const cost *large)
{
    static const struct {
        const char *label;
        size_t offset;
        double scale;
    } lines[] = {
        { "wall, us", offsetof(cost, wall_ns), 0.001 },
        { "cpu, us", offsetof(cost, cpu_us), 1 },
        { "allocations", offsetof(cost, allocations), 1 },
        { "statements", offsetof(cost, statements), 1 },
        { "bytes written", offsetof(cost, bytes), 1 },
        { "syncs", offsetof(cost, syncs), 1 },
    };
    printf("%s\n  %-16s %14s %14s %8s\n", name, "per step", "empty", "grown", "ratio");
    for (size_t i = 0; i < PW_LENGTH(lines); i++) {
        double a =
            lines[i].scale *
            measure_per(*(const uint64_t *)(const void *)((const char *)small + lines[i].offset),
                        small);
        double b =
            lines[i].scale *
            measure_per(*(const uint64_t *)(const void *)((const char *)large + lines[i].offset),
                        large);
        printf("  %-16s %14.3f %14.3f %8.3f\n", lines[i].label, a, b, a > 0 ? b / a : 0);
    }
    (void)fflush(stdout);
}

/* ------------------------------------------------------------------ a long life */

static unsigned long_steps;
static cost marks[4];

static void mark(load *l, const char *input)
{
    (void)input;
    uint64_t n = ++l->attempts;
    const uint64_t at[] = { FIRST, FIRST + WINDOW, long_steps - WINDOW, long_steps };
    for (size_t i = 0; i < PW_LENGTH(at); i++)
        if (n == at[i])
            marks[i] = measure_now(l->pawl->store);
}

static cost between(const cost *a, const cost *b)
{
    return (cost){ .wall_ns = b->wall_ns - a->wall_ns,
                   .cpu_us = b->cpu_us - a->cpu_us,
                   .allocations = b->allocations - a->allocations,
                   .bytes = b->bytes - a->bytes,
                   .syncs = b->syncs - a->syncs,
                   .steps = b->steps - a->steps,
                   .statements = b->statements - a->statements };
}

static void long_life(const char *dir, unsigned steps)
{
    char path[4096], text[1024], title[80];
    load l = { .input = "{\"n\":0}" };
    (void)bench_file(path, dir, "bench-long.db");
    load_open(&l, path, 1);
    (void)snprintf(text, sizeof text,
                   "document: { dsl: 1.0.3, namespace: bench, name: long, version: 1.0.0 }\n"
                   "do:\n"
                   "  - work:\n"
                   "      call: " LOAD_ACTIVITY "\n"
                   "      with: { n: '${ .n }' }\n"
                   "      output: { as: '{n: ($input.n + 1)}' }\n"
                   "  - more:\n"
                   "      switch:\n"
                   "        - again: { when: .n < %u, then: work }\n",
                   steps);
    load_deploy(&l, text);
    long_steps = steps;
    l.on_attempt = mark;
    load_run(&l, "bench/long", 1, 1);
    l.on_attempt = NULL;
    load_close(&l);
    bench_remove(path);
    if (l.attempts != steps)
        die("flat: the long workflow made %llu steps", (unsigned long long)l.attempts);
    cost early = between(&marks[0], &marks[1]), late = between(&marks[2], &marks[3]);
    (void)snprintf(title, sizeof title, "long: up to step %u of one instance", steps);
    tell(title, &early, &late);
}

/* ------------------------------------------------------------------ a heavy load */

static cost with_input(const char *dir, const char *input, unsigned instances)
{
    char path[4096];
    load l = { .input = input };
    (void)bench_file(path, dir, "bench-carry.db");
    load_open(&l, path, TASKS);
    load_run(&l, "bench/step", 1, 1);
    cost c = load_measure(&l, "bench/step", instances, 1);
    load_close(&l);
    bench_remove(path);
    return c;
}

static void carry(const char *dir, unsigned bytes)
{
    char title[80];
    pw_buf input;
    pw_buf_init(&input, 0);
    pw_buf_text(&input, "{\"order\":{\"id\":\"A-1\"},\"notes\":0,\"freight\":[0");
    for (unsigned i = 0; input.len < bytes; i++)
        pw_buf_printf(&input, ",{\"article\":\"no-%06u\",\"count\":%u,\"price\":19.90}", i, i % 17);
    pw_buf_text(&input, "]}");
    char *large = must(pw_buf_take(&input));
    cost light = with_input(dir, "{\"order\":{\"id\":\"A-1\"},\"notes\":0,\"freight\":[0]}", 30);
    cost heavy = with_input(dir, large, 3);
    pw_free(large);
    (void)snprintf(title, sizeof title, "carry: %u bytes that no task changes", bytes);
    tell(title, &light, &heavy);
}

/* ------------------------------------------------------------------ a full store */

static void fill(const char *path, unsigned finished)
{
    sqlite3 *db = NULL;
    char *message = NULL, text[2048];
    (void)snprintf(
        text, sizeof text,
        "PRAGMA synchronous = OFF; BEGIN;"
        "INSERT INTO instance SELECT lower(hex(randomblob(13))), abs(random() %% 64), 'bench', "
        "'step',"
        " '1.0.0', 'completed', 11, 1700000000000 + value, 1700000000000 + value, 1700000000000 + "
        "value,"
        " NULL, NULL, 'digest', NULL, NULL, NULL, '{}', NULL, 1, hex(zeroblob(300))"
        " FROM generate_series;"
        "INSERT INTO step SELECT id, 1, 'start', created_ms, 'system', NULL, 0, hex(zeroblob(200))"
        " FROM instance; COMMIT; PRAGMA wal_checkpoint(TRUNCATE);");
    char counted[2400], *at = strstr(text, " FROM generate_series");
    (void)snprintf(
        counted, sizeof counted,
        "%.*s FROM (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n "
        "WHERE value < %u) SELECT value FROM n)%s",
        (int)(at - text), text, finished, at + strlen(" FROM generate_series"));
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_exec(db, counted, NULL, NULL, &message) != SQLITE_OK)
        die("flat: cannot fill %s: %s", path, message ? message : "it does not open");
    (void)sqlite3_close(db);
}

static cost beside(const char *dir, unsigned finished)
{
    char path[4096];
    load l = { 0 };
    (void)bench_file(path, dir, "bench-full.db");
    load_open(&l, path, TASKS);
    if (finished) {
        load_close(&l);
        fill(path, finished);
        load_open(&l, path, TASKS);
    }
    load_run(&l, "bench/step", IN_FLIGHT, IN_FLIGHT);
    cost c = load_measure(&l, "bench/step", 4 * IN_FLIGHT, IN_FLIGHT);
    load_close(&l);
    bench_remove(path);
    return c;
}

static void full_store(const char *dir, unsigned finished)
{
    char title[80];
    cost empty = beside(dir, 0), full = beside(dir, finished);
    (void)snprintf(title, sizeof title, "finished: beside %u finished instances", finished);
    tell(title, &empty, &full);
}

/* ------------------------------------------------------------------ options */

int main(int argc, char **argv)
{
    static const struct option names[] = {
        { "dir", required_argument, NULL, 'd' },
        { "steps", required_argument, NULL, 's' },
        { "carry", required_argument, NULL, 'c' },
        { "finished", required_argument, NULL, 'f' },
        { NULL, 0, NULL, 0 },
    };
    const char *dir = NULL;
    unsigned long steps = 3000, bytes = 1048576, finished = 200000;
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'd')
            dir = optarg;
        else if (c == 's')
            steps = strtoul(optarg, NULL, 10);
        else if (c == 'c')
            bytes = strtoul(optarg, NULL, 10);
        else if (c == 'f')
            finished = strtoul(optarg, NULL, 10);
        else
            return 2;
    }
    if (!dir || optind != argc || (steps && steps < FIRST + 2 * WINDOW) || steps > 1000000 ||
        bytes > PW_JSON_INPUT_MAX - 4096 || finished > 100000000)
        die("use: flat --dir DIR [--steps N] [--carry BYTES] [--finished N]; steps from %d on",
            FIRST + 2 * WINDOW);
    if (steps)
        long_life(dir, (unsigned)steps);
    if (bytes)
        carry(dir, (unsigned)bytes);
    if (finished)
        full_store(dir, (unsigned)finished);
    return 0;
}
