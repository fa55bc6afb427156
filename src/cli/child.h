/* child.h - one run of a command of the user's, in a process group of its own. */
#ifndef PW_CHILD_H
#define PW_CHILD_H

#include "base/base.h"

enum { CHILD_TAIL = 2000 }; /* of standard error, kept for the message */

typedef struct child_options {
    const char *path; /* as child_find() gave it */
    char *const *argv, *const *env;
    pw_str input;      /* on its standard input, which is closed behind it */
    size_t output_max; /* more of standard output ends it */
    uint32_t tick_ms;  /* `go_on` is asked so often, and once before it begins to end it */
    bool (*go_on)(void *context); /* false: the group is told to end, and after a while killed */
    void *context;
} child_options;

typedef struct child_end {
    int exit_code;             /* -1: by a signal, or it did not start */
    int signal;                /* 0: none */
    int not_started;           /* errno; 0: it was */
    bool stopped;              /* because of go_on */
    bool too_large;            /* because of output_max */
    pw_buf output;             /* pw_buf_done() it */
    char tail[CHILD_TAIL + 1]; /* the end of its standard error, which also went to ours */
} child_end;

/* Runs it and waits for its end, that is for the process's: what it left behind in the background
 * is not waited for. Any thread. */
void child_run(child_end *out, const child_options *options);
/* The file that `name` means on PATH, in memory to pw_free(); NULL: errno says why. */
char *child_find(const char *name);
#endif
