/* measure.c - counts what the process does, without looking into what it does.
 *
 * Writes and syncs are counted where they leave the program: this executable has its own pwrite64
 * and fdatasync, which libsqlite3 finds before those of libc. So the figures hold for libpawl and
 * for plain SQLite alike. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_ZERO_STATS ((void)0)
#define CALLGRIND_DUMP_STATS_AT(name) ((void)(name))
#endif

#include "measure.h"

static _Atomic uint64_t writes, bytes, syncs;

/* ------------------------------------------------------------------ in front of libc */

#define INTERPOSED __attribute__((visibility("default")))

INTERPOSED ssize_t pwrite64(int fd, const void *from, size_t count, off64_t at)
{
    atomic_fetch_add_explicit(&writes, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&bytes, count, memory_order_relaxed);
    return syscall(SYS_pwrite64, fd, from, count, at);
}

INTERPOSED int fdatasync(int fd)
{
    atomic_fetch_add_explicit(&syncs, 1, memory_order_relaxed);
    return (int)syscall(SYS_fdatasync, fd);
}

INTERPOSED int fsync(int fd)
{
    atomic_fetch_add_explicit(&syncs, 1, memory_order_relaxed);
    return (int)syscall(SYS_fsync, fd);
}

/* ------------------------------------------------------------------ reading */

static uint64_t storage_bytes(void)
{
    FILE *file = fopen("/proc/self/io", "r");
    unsigned long long value = 0;
    char line[128];
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "write_bytes: %llu", &value) == 1)
            break;
    if (file)
        (void)fclose(file);
    return value;
}

static uint64_t micros(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec;
}

cost measure_now(const pw_store *store)
{
    struct rusage usage;
    struct timespec now;
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    cost c = { .wall_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
               .cpu_us = micros(usage.ru_utime) + micros(usage.ru_stime),
               .allocations = pw_alloc_count(),
               .switches = (uint64_t)(usage.ru_nvcsw + usage.ru_nivcsw),
               .writes = atomic_load(&writes),
               .bytes = atomic_load(&bytes),
               .storage = storage_bytes(),
               .syncs = atomic_load(&syncs) };
    if (store) {
        pw_store_counts counts;
        pw_store_count(store, &counts);
        c.steps = counts.items;
        c.statements = counts.statements;
        c.rows = counts.rows;
        c.commits = counts.commits;
    }
    return c;
}

cost measure_since(const cost *before, const pw_store *store)
{
    cost now = measure_now(store);
    return (cost){ .wall_ns = now.wall_ns - before->wall_ns,
                   .cpu_us = now.cpu_us - before->cpu_us,
                   .allocations = now.allocations - before->allocations,
                   .switches = now.switches - before->switches,
                   .writes = now.writes - before->writes,
                   .bytes = now.bytes - before->bytes,
                   .storage = now.storage - before->storage,
                   .syncs = now.syncs - before->syncs,
                   .steps = now.steps - before->steps,
                   .statements = now.statements - before->statements,
                   .rows = now.rows - before->rows,
                   .commits = now.commits - before->commits };
}

double measure_per(uint64_t amount, const cost *of)
{
    return of->steps ? (double)amount / (double)of->steps : 0;
}

void measure_mark_begin(void)
{
    CALLGRIND_ZERO_STATS;
}

void measure_mark_end(const char *name)
{
    CALLGRIND_DUMP_STATS_AT(name);
}

static int by_time(const void *a, const void *b)
{
    double left = measure_per(((const cost *)a)->wall_ns, a);
    double right = measure_per(((const cost *)b)->wall_ns, b);
    return (left > right) - (left < right);
}

cost measure_median(cost *costs, size_t count)
{
    qsort(costs, count, sizeof *costs, by_time);
    return costs[count / 2];
}

/* ------------------------------------------------------------------ for all programs here */

void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(1);
}

void check(pawl_code code, const pawl_error *err)
{
    if (code != PAWL_OK)
        die("%s: %s", pawl_code_name(code), err->message);
}

void *must(void *memory)
{
    if (!memory)
        die("out of memory");
    return memory;
}

void bench_remove(const char *path)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-lock", "-sock", "-journal" };
    char name[4200];
    for (size_t i = 0; i < PW_LENGTH(ends); i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
        (void)unlink(name);
    }
}

pw_str bench_file(char out[4096], const char *dir, const char *name)
{
    int len = snprintf(out, 4096, "%s/%s", dir, name);
    if (len < 0 || len >= 4096)
        die("the path is too long: %s", dir);
    bench_remove(out);
    return (pw_str){ out, (size_t)len };
}
