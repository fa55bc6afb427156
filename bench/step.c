/* step.c - what one step costs on SQLite, beside the ideal step, in the same run.
 *
 *     bench/step --dir DIR [--in-flight 1,512] [--instances N] [--tasks 10] [--rounds 3]
 *                [--batch N] [--no-ideal] [--json]
 *
 * DIR is on the disk that is to be measured; a memory file system says nothing about syncs. Of the
 * rounds, which alternate between the two, the one in the middle by time is shown. The ideal makes
 * its transactions as large as the real ones came out, or of N steps. Exit 0: it ran;
 * figures are for bench/results and doc/performance.md, no verdict is made here. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "ideal.h"
#include "load.h"

enum { ROUNDS_MAX = 31, KINDS_MAX = 16 };

typedef struct options {
    const char *dir;
    unsigned in_flight[KINDS_MAX];
    size_t kinds;
    unsigned instances; /* 0: chosen by what is in flight */
    unsigned tasks, rounds;
    unsigned batch; /* of the ideal; 0: as large as the real ones */
    bool ideal, json;
} options;

typedef struct result {
    unsigned in_flight, instances, batch;
    size_t state_bytes, entries_bytes;
    cost pawl, ideal;
} result;

static result measure(const options *o, unsigned in_flight)
{
    result r = { .in_flight = in_flight };
    r.instances = o->instances ? o->instances : in_flight == 1 ? 40 : 4 * in_flight;
    cost real[ROUNDS_MAX], plain[ROUNDS_MAX];
    char path[4096];
    for (unsigned round = 0; round < o->rounds; round++) {
        load l = { 0 };
        (void)bench_file(path, o->dir, "bench-step.db");
        load_open(&l, path, o->tasks);
        load_sizes(&l, path); /* and everything is there that is made at the first use */
        r.state_bytes = l.state_bytes;
        r.entries_bytes = l.entries_bytes;
        real[round] = load_measure(&l, "bench/step", r.instances, in_flight);
        load_close(&l);
        bench_remove(path);
        if (!o->ideal)
            continue;
        const cost *c = &real[round];
        r.batch = o->batch ? o->batch : (unsigned)((c->steps + c->commits / 2) / c->commits);
        (void)bench_file(path, o->dir, "bench-ideal.db");
        const ideal_options ideal = { path,    r.instances,   in_flight,      o->tasks + 1,
                                      r.batch, r.state_bytes, r.entries_bytes };
        plain[round] = ideal_measure(&ideal);
        bench_remove(path);
    }
    r.pawl = measure_median(real, o->rounds);
    if (o->ideal)
        r.ideal = measure_median(plain, o->rounds);
    return r;
}

/* ------------------------------------------------------------------ telling */

typedef struct line {
    const char *name, *label;
    size_t offset;
    double scale;
} line;

static const line lines[] = {
    { "wallMicros", "wall, us", offsetof(cost, wall_ns), 0.001 },
    { "cpuMicros", "cpu, us", offsetof(cost, cpu_us), 1 },
    { "allocations", "allocations", offsetof(cost, allocations), 1 },
    { "statements", "statements", offsetof(cost, statements), 1 },
    { "rows", "rows", offsetof(cost, rows), 1 },
    { "commits", "commits", offsetof(cost, commits), 1 },
    { "syncs", "syncs", offsetof(cost, syncs), 1 },
    { "writes", "writes", offsetof(cost, writes), 1 },
    { "bytes", "bytes written", offsetof(cost, bytes), 1 },
    { "storageBytes", "bytes to storage", offsetof(cost, storage), 1 },
    { "switches", "context switches", offsetof(cost, switches), 1 },
};

static double figure(const cost *c, const line *what)
{
    return measure_per(*(const uint64_t *)(const void *)((const char *)c + what->offset), c) *
           what->scale;
}

static double rate(const cost *c)
{
    return c->wall_ns ? (double)c->steps * 1e9 / (double)c->wall_ns : 0;
}

static void tell(const options *o, const result *r)
{
    printf("%u in flight: %u instances of %u tasks, state %zu bytes, entries %zu bytes",
           r->in_flight, r->instances, o->tasks, r->state_bytes, r->entries_bytes);
    if (o->ideal)
        printf(", ideal in batches of %u", r->batch);
    printf("\n  %-18s %12s %12s\n", "per step", "pawl", o->ideal ? "ideal" : "");
    for (size_t i = 0; i < PW_LENGTH(lines); i++) {
        printf("  %-18s %12.3f", lines[i].label, figure(&r->pawl, &lines[i]));
        if (o->ideal)
            printf(" %12.3f", figure(&r->ideal, &lines[i]));
        printf("\n");
    }
    printf("  %-18s %12.0f", "steps per second", rate(&r->pawl));
    if (o->ideal)
        printf(" %12.0f   ratio %.3f", rate(&r->ideal), rate(&r->pawl) / rate(&r->ideal));
    printf("\n");
}

static void tell_json_cost(const char *name, const cost *c)
{
    printf(",\"%s\":{\"steps\":%llu,\"stepsPerSecond\":%.1f", name, (unsigned long long)c->steps,
           rate(c));
    for (size_t i = 0; i < PW_LENGTH(lines); i++)
        printf(",\"%s\":%.4f", lines[i].name, figure(c, &lines[i]));
    printf("}");
}

static void tell_json(const options *o, const result *r)
{
    printf("{\"inFlight\":%u,\"instances\":%u,\"tasks\":%u,\"stateBytes\":%zu,\"entriesBytes\":%zu",
           r->in_flight, r->instances, o->tasks, r->state_bytes, r->entries_bytes);
    tell_json_cost("pawl", &r->pawl);
    if (o->ideal) {
        printf(",\"batch\":%u", r->batch);
        tell_json_cost("ideal", &r->ideal);
    }
    printf("}\n");
}

/* ------------------------------------------------------------------ options */

static unsigned number(const char *text, unsigned most)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end || value < 1 || value > most)
        die("step: '%s' is not a number from 1 to %u", text, most);
    return (unsigned)value;
}

static void read_kinds(options *o, const char *text)
{
    char *copy = must(strdup(text)), *rest = copy, *part = NULL;
    o->kinds = 0;
    while ((part = strsep(&rest, ",")) != NULL) {
        if (o->kinds == KINDS_MAX)
            die("step: at most %d numbers in --in-flight", KINDS_MAX);
        o->in_flight[o->kinds++] = number(part, 4096);
    }
    free(copy);
}

static options read_options(int argc, char **argv)
{
    static const struct option names[] = {
        { "dir", required_argument, NULL, 'd' },
        { "in-flight", required_argument, NULL, 'f' },
        { "instances", required_argument, NULL, 'n' },
        { "tasks", required_argument, NULL, 't' },
        { "rounds", required_argument, NULL, 'r' },
        { "batch", required_argument, NULL, 'b' },
        { "no-ideal", no_argument, NULL, 'i' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    options o = { .in_flight = { 1, 512 }, .kinds = 2, .tasks = 10, .rounds = 3, .ideal = true };
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'd')
            o.dir = optarg;
        else if (c == 'f')
            read_kinds(&o, optarg);
        else if (c == 'n')
            o.instances = number(optarg, 10000000);
        else if (c == 't')
            o.tasks = number(optarg, 1000);
        else if (c == 'r')
            o.rounds = number(optarg, ROUNDS_MAX);
        else if (c == 'b')
            o.batch = number(optarg, 1000);
        else if (c == 'i')
            o.ideal = false;
        else if (c == 'j')
            o.json = true;
        else
            exit(2);
    }
    if (!o.dir || optind != argc)
        die("use: step --dir DIR [--in-flight 1,512] [--instances N] [--tasks N] [--rounds N] "
            "[--batch N] [--no-ideal] [--json]");
    return o;
}

int main(int argc, char **argv)
{
    options o = read_options(argc, argv);
    for (size_t i = 0; i < o.kinds; i++) {
        result r = measure(&o, o.in_flight[i]);
        (o.json ? tell_json : tell)(&o, &r);
        (void)fflush(stdout);
    }
    return 0;
}
