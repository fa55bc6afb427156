/* ideal.h - the least that a step can be: an UPDATE and an INSERT in plain SQLite. */
#ifndef BENCH_IDEAL_H
#define BENCH_IDEAL_H

#include "measure.h"

typedef struct ideal_options {
    const char *path; /* of a file that is not there */
    unsigned instances;
    unsigned in_flight; /* instances whose steps take turns */
    unsigned steps;     /* of each */
    unsigned batch;     /* steps in one transaction */
    size_t state_bytes, entries_bytes;
} ideal_options;

cost ideal_measure(const ideal_options *options);
#endif
