/* sync.c - conditions, threads, clock and chance of the system. */
#include "engine/sync.h"
#include <errno.h>
#include <signal.h>
#include <sys/random.h>
#include <time.h>

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t pw_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t pw_boot_ns(void)
{
    return clock_ns(CLOCK_BOOTTIME);
}

/* ------------------------------------------------------------------ conditions */

pawl_code pw_condition_init(pthread_cond_t *cond, pawl_error *err)
{
    pthread_condattr_t attributes;
    int failed = pthread_condattr_init(&attributes);
    if (failed)
        return pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory");
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    failed = pthread_cond_init(cond, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return failed ? pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory") : PAWL_OK;
}

void pw_condition_done(pthread_cond_t *cond)
{
    (void)pthread_cond_destroy(cond);
}

void pw_condition_wake(pthread_cond_t *cond)
{
    (void)pthread_cond_broadcast(cond);
}

bool pw_condition_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline_ns)
{
    if (deadline_ns == UINT64_MAX) {
        (void)pthread_cond_wait(cond, lock);
        return true;
    }
    struct timespec deadline = { .tv_sec = (time_t)(deadline_ns / 1000000000u),
                                 .tv_nsec = (long)(deadline_ns % 1000000000u) };
    return pthread_cond_timedwait(cond, lock, &deadline) != ETIMEDOUT;
}

/* ------------------------------------------------------------------ threads */

typedef struct start {
    void (*run)(void *context);
    void *context;
} start;

static void *run_thread(void *context)
{
    start s = *(start *)context;
    pw_free(context);
    s.run(s.context);
    return NULL;
}

pawl_code pw_thread_start(pw_thread *thread, const char *name, void (*run)(void *context),
                          void *context, pawl_error *err)
{
    start *s = pw_zalloc(sizeof *s);
    if (!s)
        return pw_no_memory(err);
    *s = (start){ run, context };
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&thread->id, NULL, run_thread, s);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        pw_free(s);
        return pw_fail_native(
            err, PAWL_NO_MEMORY, failed,
            "cannot start a thread; lower step_threads, or raise the limit of threads");
    }
    (void)pthread_setname_np(thread->id, name);
    thread->started = true;
    return PAWL_OK;
}

void pw_thread_join(pw_thread *thread)
{
    if (!thread->started)
        return;
    (void)pthread_join(thread->id, NULL);
    thread->started = false;
}

/* ------------------------------------------------------------------ chance */

pawl_code pw_random(void *out, size_t size, pawl_error *err)
{
    PW_ASSERT(size <= 256); /* more could come in pieces */
    if (getrandom(out, size, 0) != (ssize_t)size)
        return pw_fail_native(err, PAWL_IO, errno, "no random numbers from the system");
    return PAWL_OK;
}
