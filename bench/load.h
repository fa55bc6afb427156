/* load.h - workflows of sequential activities on libpawl, so many in flight at once. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "measure.h"

#define LOAD_ACTIVITY "note"
#define LOAD_RESULT "{\"ok\":true}" /* what it returns */

typedef struct load {
    pawl *pawl;
    const char *input;
    /* Called by every attempt on a thread of the pool; NULL: nothing. */
    void (*on_attempt)(struct load *load, const char *input);
    uint64_t attempts;  /* of one instance at a time: read and written by the hook only */
    size_t state_bytes; /* set by load_sizes */
    size_t entries_bytes;
} load;

/* The workflow `bench/step` of so many activities, to pw_free(); and what it is started with. */
char *load_document(unsigned tasks);
extern const char load_input[];
/* A store at `path` with that workflow, and the activity. */
void load_open(load *l, const char *path, unsigned tasks);
void load_close(load *l);
const pw_store *load_store(const load *l);
/* Deploys any other document. */
void load_deploy(load *l, const char *text);
/* Runs `instances` to their end, `in_flight` at once. */
void load_run(load *l, const char *workflow, unsigned instances, unsigned in_flight);
cost load_measure(load *l, const char *workflow, unsigned instances, unsigned in_flight);
/* Finds out how large a state and the entries of a step are in the middle of bench/step. */
void load_sizes(load *l, const char *path);
#endif
