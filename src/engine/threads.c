/* threads.c - thin loops around the objects: one thread per shard, one committer, one for recovery.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include "engine/engine.h"

typedef struct shard_thread {
    pthread_t thread;
    pw_shard *shard;
} shard_thread;

struct pw_threads {
    pawl *engine;
    pthread_t committer, recovery;
    bool has_committer, has_recovery;
    uint32_t shard_count; /* started and not joined */
    shard_thread shards[PW_SHARDS_MAX];
};

static void *run_shard(void *context)
{
    pw_shard *shard = ((shard_thread *)context)->shard;
    while (!pw_shard_ended(shard)) {
        pw_mail mail;
        pw_mailbox_take(&shard->mailbox, &mail, pw_shard_next_ns(shard));
        pw_shard_handle(shard, &mail);
    }
    return NULL;
}

static void *run_committer(void *context)
{
    while (pw_committer_work(((pawl *)context)->committer, true))
        ;
    return NULL;
}

static void *run_recovery(void *context)
{
    while (pw_recovery_work(((pawl *)context)->recovery, true))
        ;
    return NULL;
}

/* Signals are the host program's: none is handled on our threads. */
static pawl_code start(pthread_t *thread, const char *name, void *(*run)(void *), void *context,
                       pawl_error *err)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(thread, NULL, run, context);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return pw_fail_native(
            err, PAWL_NO_MEMORY, failed,
            "cannot start a thread; lower step_threads, or raise the limit of threads");
    (void)pthread_setname_np(*thread, name);
    return PAWL_OK;
}

pawl_code pw_threads_start(struct pw_threads **out, pawl *p, pawl_error *err)
{
    struct pw_threads *t = pw_zalloc(sizeof *t);
    if (!t)
        return pw_no_memory(err);
    t->engine = p;
    *out = t; /* what was started is stopped by the caller, also on failure */
    pawl_code code = start(&t->committer, "pawl-commit", run_committer, p, err);
    t->has_committer = code == PAWL_OK;
    for (uint32_t i = 0; i < p->shard_count && code == PAWL_OK; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "pawl-step-%u", i % 1000);
        t->shards[i].shard = p->shards[i];
        code = start(&t->shards[i].thread, name, run_shard, &t->shards[i], err);
        if (code == PAWL_OK)
            t->shard_count++;
    }
    if (code == PAWL_OK) {
        code = start(&t->recovery, "pawl-recover", run_recovery, p, err);
        t->has_recovery = code == PAWL_OK;
    }
    return code;
}

void pw_threads_stop_recovery(struct pw_threads *t)
{
    if (!t || !t->has_recovery)
        return;
    pw_recovery_stop(t->engine->recovery);
    (void)pthread_join(t->recovery, NULL);
    t->has_recovery = false;
}

void pw_threads_join_shards(struct pw_threads *t)
{
    for (uint32_t i = 0; t && i < t->shard_count; i++)
        (void)pthread_join(t->shards[i].thread, NULL);
    if (t)
        t->shard_count = 0;
}

void pw_threads_stop_committer(struct pw_threads *t)
{
    if (!t || !t->has_committer)
        return;
    pw_committer_stop(t->engine->committer);
    (void)pthread_join(t->committer, NULL);
    t->has_committer = false;
}

void pw_threads_free(struct pw_threads *t)
{
    pw_free(t);
}
