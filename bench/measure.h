/* measure.h - what a stretch of work cost this process. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "base/base.h"
#include "store/store.h"

typedef struct cost {
    uint64_t wall_ns;
    uint64_t cpu_us;      /* user and system, all threads */
    uint64_t allocations; /* of pw_alloc and its kin; SQLite's and libc's own are not in it */
    uint64_t switches;    /* of context, voluntary or not, all threads */
    uint64_t writes;      /* calls of pwrite: the file, its log, and checkpoints */
    uint64_t bytes;       /* ... their bytes */
    uint64_t storage;     /* bytes that the kernel was to bring to the disk; 0: it does not tell */
    uint64_t syncs;       /* fsync and fdatasync, those of checkpoints too */
    /* Of the store; for the ideal: what it did. */
    uint64_t steps, statements, rows, commits;
} cost;

/* The process until now; `store` may be NULL. */
cost measure_now(const pw_store *store);
cost measure_since(const cost *before, const pw_store *store);
double measure_per(uint64_t amount, const cost *of); /* per step */
/* Where instructions are counted from, and to: under callgrind, built beside its header. `name` is
 * that of the stretch in bench/callgrind.py. */
void measure_mark_begin(void);
void measure_mark_end(const char *name);
/* The one in the middle by time; sorts. */
cost measure_median(cost *costs, size_t count);

/* Ends the program with a message. */
_Noreturn void die(const char *format, ...) PW_PRINTF(1, 2);
void check(pawl_code code, const pawl_error *err);
void *must(void *memory);
/* A fresh path in `dir`, what was left there by an earlier run removed. */
pw_str bench_file(char out[4096], const char *dir, const char *name);
void bench_remove(const char *path);
#endif
