/* activity.h - runs C activities off the step threads, on a bounded pool of threads. */
#ifndef PW_ACTIVITY_H
#define PW_ACTIVITY_H

#include "core/core.h"

typedef struct pw_pool pw_pool;

#define PW_POOL_THREADS_MAX 1024

typedef enum pw_job_end {
    PW_JOB_RETURNED,  /* result: JSON value */
    PW_JOB_FAILED,    /* error: {status, title, detail} */
    PW_JOB_TIMED_OUT, /* past its deadline, or silent for longer than its heartbeat; the function may still run */
    PW_JOB_CANCELLED, /* nobody waited any more */
} pw_job_end;

/* One attempt. Made by the caller; the pool's from submit to the callback; freed by the pool when both the callback has
 * come and the function has returned (pw_job_release by the callback's receiver, reference counted). */
typedef struct pw_job {
    struct pw_job *next;       /* the owner's */
    pw_arena arena;
    pw_str instance;
    uint64_t visit;
    uint32_t attempt;
    pw_str task, key;
    pw_str input;              /* NUL-terminated JSON */
    pawl_activity_options activity;
    pw_job_end end;            /* set before the callback */
    pw_value result, error;    /* in the job, as long as it; only read after the callback */
    pw_retry_said retry;       /* FAILED: as of pw_event */
    uint64_t retry_after_ms;   /* the same */
    uint64_t asked_ns;         /* the owner's: when it was submitted */
    void *driver;
} pw_job;

pw_job *pw_job_new(void);      /* NULL: out of memory; one reference */
void pw_job_release(pw_job *job);

/* Called exactly once for each submitted job: when the function has returned, or at the deadline. */
typedef void (*pw_job_done_fn)(void *context, pw_job *job);

typedef struct pw_pool_options {
    uint32_t threads;          /* 0: 16; at most PW_POOL_THREADS_MAX; while functions run past their deadline up to twice as many */
} pw_pool_options;

PAWL_CHECK pawl_code pw_pool_new(pw_pool **out, const pw_pool_options *options, pw_job_done_fn on_done,
                                 void *context, pawl_error *err);
void pw_pool_submit(pw_pool *pool, pw_job *job);                /* any thread; first come, first served */
void pw_pool_cancel(pw_pool *pool, pw_str instance, uint64_t visit); /* any thread */
/* Cancels all, waits for running functions to return, joins the threads. NULL is fine. */
void pw_pool_free(pw_pool *pool);
#endif
