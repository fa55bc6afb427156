/* isolation.c - what a thousand instances that are stuck on one service cost those that use another.
 *
 *     bench/isolation --dir DIR [--stuck 1000] [--instances 1000] [--in-flight 32] [--rounds 5]
 *
 * Workflows of one HTTP call to a service of this process that answers at once, so many in flight. In each round the same
 * number of them is run three times, one after the other, on stores of their own: alone; beside those who are stuck on a
 * service that never answers (its bulkhead is full of them); beside those who wait for one whose breaker is open. The ratio is
 * that of the time alone to the time beside, of the same round. Printed are medians, the least and the most ratio, CPU time for
 * one instance, and how often the dead service was asked meanwhile. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/engine.h"
#include "http/service.h"
#include "measure.h"

typedef enum beside { ALONE, HANGING, OPEN, BESIDES } beside;
static const char *const names[] = { "alone", "beside a hanging", "beside an open" };

typedef struct scene {
    const char *dir;
    unsigned stuck, instances, in_flight, rounds;
} scene;

typedef struct outcome {
    uint64_t ns, cpu_us; /* of this process: engine, services, and who starts and waits */
    unsigned asked; /* requests at the dead service while the others ran */
} outcome;

static void deploy(pawl *p, const char *name, const char *url)
{
    char text[512];
    pawl_error err;
    int length = snprintf(text, sizeof text,
                          "document: {dsl: 1.0.3, namespace: bench, name: %s, version: 1.0.0}\n"
                          "do: [{call: {call: http, with: {method: post, endpoint: '%s', body: {n: 1}}}}]\n",
                          name, url);
    check(pawl_deploy(p, text, (size_t)length, NULL, NULL, NULL, &err), &err);
}

static char *start(pawl *p, const char *name)
{
    char *id = NULL;
    pawl_error err;
    const pawl_start_options options = { .struct_size = sizeof options, .name = name };
    check(pawl_start(p, &options, &id, NULL, &err), &err);
    return id;
}

static void finish(pawl *p, char *id)
{
    pawl_error err;
    check(pawl_wait(p, id, PAWL_WAIT_END, 60000, NULL, &err), &err);
    pawl_free(id);
}

/* So many at once, each waited for in the order of their starts. */
static void run(pawl *p, unsigned instances, unsigned in_flight)
{
    char **ids = must(calloc(in_flight, sizeof *ids));
    for (unsigned i = 0; i < instances + in_flight; i++) {
        char **place = &ids[i % in_flight];
        if (*place)
            finish(p, *place);
        *place = i < instances ? start(p, "good") : NULL;
    }
    free(ids);
}

static uint64_t waiting(pawl *p)
{
    char *text = NULL;
    pawl_error err;
    check(pawl_breakers(p, 1, &text, &err), &err);
    uint64_t sum = 0;
    for (const char *at = text; (at = strstr(at, "\"waiting\":")) != NULL; at++)
        sum += strtoull(at + 10, NULL, 10);
    pawl_free(text);
    return sum;
}

static void stick(pawl *p, const scene *s, service *dead, beside what)
{
    const uint64_t expected = what == HANGING ? (s->stuck > 64 ? s->stuck - 64 : 0) : s->stuck;
    service_on(dead, "/", (service_answer){ .hold = what == HANGING, .status = 503 });
    deploy(p, "dead", service_url(dead, "/"));
    for (unsigned i = 0; i < s->stuck; i++)
        pawl_free(start(p, "dead"));
    for (unsigned tries = 0; waiting(p) < expected; tries++) {
        if (tries > 60000)
            die("those who are stuck do not wait");
        (void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
}

static outcome measure(const scene *s, beside what)
{
    char path[4096];
    (void)bench_file(path, s->dir, "isolation.db");
    service *good = service_new(), *dead = service_new();
    pawl_resilience resilience = pawl_resilience_default();
    resilience.breaker_break_ms = 3600000;
    resilience.call_base_delay_ms = 0; /* to fail soon */
    resilience.call_retries = 1000;
    pawl_options options = pawl_options_default();
    options.store = path;
    options.resilience = &resilience;
    options.egress_allow = "loopback";
    pawl *p = NULL;
    pawl_error err;
    check(pawl_open(&p, &options, &err), &err);
    service_on(good, "/", (service_answer){ .headers = "Content-Type: application/json\r\n", .body = "{}" });
    deploy(p, "good", service_url(good, "/"));
    if (what != ALONE)
        stick(p, s, dead, what);
    run(p, s->instances / 10 + 1, s->in_flight);
    unsigned asked = service_requests(dead);
    cost before = measure_now(NULL);
    run(p, s->instances, s->in_flight);
    cost spent = measure_since(&before, NULL);
    outcome o = { spent.wall_ns, spent.cpu_us, service_requests(dead) - asked };
    pawl_close(p);
    service_free(dead);
    service_free(good);
    bench_remove(path);
    return o;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, unsigned count)
{
    qsort(values, count, sizeof *values, by_value);
    return values[count / 2];
}

static void measure_all(const scene *s)
{
    double *rates[BESIDES], *ratios[BESIDES], *cpu[BESIDES];
    unsigned asked[BESIDES] = { 0 };
    for (int what = 0; what < BESIDES; what++) {
        rates[what] = must(calloc(s->rounds, sizeof **rates));
        ratios[what] = must(calloc(s->rounds, sizeof **ratios));
        cpu[what] = must(calloc(s->rounds, sizeof **cpu));
    }
    for (unsigned round = 0; round < s->rounds; round++) {
        outcome o[BESIDES];
        for (unsigned i = 0; i < BESIDES; i++) { /* each is first in its turn: the machine has other work as well */
            beside what = (beside)((round + i) % BESIDES);
            o[what] = measure(s, what);
        }
        for (int what = 0; what < BESIDES; what++) {
            rates[what][round] = s->instances / ((double)o[what].ns / 1e9);
            ratios[what][round] = (double)o[ALONE].ns / (double)o[what].ns;
            cpu[what][round] = (double)o[what].cpu_us / s->instances;
            asked[what] += o[what].asked;
        }
    }
    (void)printf("%-18s %12s %8s %8s %8s %8s %8s\n", "", "instances/s", "ratio", "least", "most", "us CPU", "asked");
    for (int what = 0; what < BESIDES; what++) {
        double rate = median(rates[what], s->rounds), ratio = median(ratios[what], s->rounds);
        (void)printf("%-18s %12.0f %8.2f %8.2f %8.2f %8.0f %8u\n", names[what], rate, ratio, ratios[what][0],
                     ratios[what][s->rounds - 1], median(cpu[what], s->rounds), asked[what]);
        free(rates[what]);
        free(ratios[what]);
        free(cpu[what]);
    }
}

static unsigned number(const char *text)
{
    unsigned long n = strtoul(text, NULL, 10);
    if (n < 1 || n > 10000000)
        die("%s: a number from 1 to 10000000", text);
    return (unsigned)n;
}

int main(int argc, char **argv)
{
    scene s = { .stuck = 1000, .instances = 1000, .in_flight = 32, .rounds = 5 };
    static const struct option options[] = { { "dir", 1, NULL, 'd' },       { "stuck", 1, NULL, 's' },
                                             { "instances", 1, NULL, 'i' }, { "in-flight", 1, NULL, 'f' },
                                             { "rounds", 1, NULL, 'r' },    { NULL, 0, NULL, 0 } };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'd')
            s.dir = optarg;
        else if (c == 's')
            s.stuck = number(optarg);
        else if (c == 'i')
            s.instances = number(optarg);
        else if (c == 'f')
            s.in_flight = number(optarg);
        else if (c == 'r')
            s.rounds = number(optarg);
        else
            return 2;
    }
    if (!s.dir)
        die("bench/isolation --dir DIR [--stuck 1000] [--instances 1000] [--in-flight 32] [--rounds 5]");
    measure_all(&s);
    return 0;
}
