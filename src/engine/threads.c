/* threads.c - thin loops around the objects: one thread per shard, one committer, one for messages,
 * one for recovery, one for deadlines of jobs and polls, one for circuit breakers, one for bulk operations, one for leases
 * where there may be other nodes. */
#include <stdio.h>
#include "engine/engine.h"

typedef struct shard_thread {
    pw_thread thread;
    pw_shard *shard;
} shard_thread;

struct pw_threads {
    pawl *engine;
    pw_thread committer, router, recovery, leases, jobs, breakers, bulks;
    shard_thread shards[PW_SHARDS_MAX];
};

static void run_shard(void *context)
{
    pw_shard *shard = ((shard_thread *)context)->shard;
    while (!pw_shard_ended(shard)) {
        pw_mail mail;
        pw_mailbox_take(&shard->mailbox, &mail, pw_shard_next_ns(shard));
        pw_shard_handle(shard, &mail);
    }
}

static void run_committer(void *context)
{
    while (pw_committer_work(((pawl *)context)->committer, true))
        ;
}

static void run_router(void *context)
{
    while (pw_router_work(((pawl *)context)->router, true))
        ;
}

static void run_recovery(void *context)
{
    while (pw_recovery_work(((pawl *)context)->recovery, true))
        ;
}

static void run_leases(void *context)
{
    while (pw_leases_work(((pawl *)context)->leases, true))
        ;
}

static void run_jobs(void *context)
{
    while (pw_jobs_work(((pawl *)context)->jobs))
        ;
}

static void run_breakers(void *context)
{
    while (pw_breakers_work(((pawl *)context)->breakers, true))
        ;
}

static void run_bulks(void *context)
{
    while (pw_bulks_work(((pawl *)context)->bulks, true))
        ;
}

pawl_code pw_threads_start(struct pw_threads **out, pawl *p, pawl_error *err)
{
    struct pw_threads *t = pw_zalloc(sizeof *t);
    if (!t)
        return pw_no_memory(err);
    t->engine = p;
    *out = t; /* what was started is stopped by the caller, also on failure */
    pawl_code code = pw_thread_start(&t->committer, "pawl-commit", run_committer, p, err);
    for (uint32_t i = 0; i < p->shard_count && code == PAWL_OK; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "pawl-step-%u", i % 1000);
        t->shards[i].shard = p->shards[i];
        code = pw_thread_start(&t->shards[i].thread, name, run_shard, &t->shards[i], err);
    }
    if (code == PAWL_OK)
        code = pw_thread_start(&t->router, "pawl-route", run_router, p, err);
    if (code == PAWL_OK)
        code = pw_thread_start(&t->recovery, "pawl-recover", run_recovery, p, err);
    if (code == PAWL_OK)
        code = pw_thread_start(&t->jobs, "pawl-jobs", run_jobs, p, err);
    if (code == PAWL_OK)
        code = pw_thread_start(&t->breakers, "pawl-breakers", run_breakers, p, err);
    if (code == PAWL_OK)
        code = pw_thread_start(&t->bulks, "pawl-bulk", run_bulks, p, err);
    if (code == PAWL_OK)
        code = pw_auditor_start(p->auditor, err);
    if (code == PAWL_OK)
        code = pw_cleanup_start(p->cleanup, err);
    if (code == PAWL_OK && !pw_leases_exclusive(p->leases))
        code = pw_thread_start(&t->leases, "pawl-lease", run_leases, p, err);
    return code;
}

void pw_threads_stop_recovery(struct pw_threads *t)
{
    if (!t || !t->recovery.started)
        return;
    pw_recovery_stop(t->engine->recovery);
    pw_thread_join(&t->recovery);
}

void pw_threads_stop_router(struct pw_threads *t)
{
    if (!t || !t->router.started)
        return;
    pw_router_stop(t->engine->router);
    pw_thread_join(&t->router);
}

void pw_threads_join_shards(struct pw_threads *t)
{
    for (uint32_t i = 0; t && i < t->engine->shard_count; i++)
        pw_thread_join(&t->shards[i].thread);
}

void pw_threads_stop_committer(struct pw_threads *t)
{
    if (!t || !t->committer.started)
        return;
    pw_committer_stop(t->engine->committer);
    pw_thread_join(&t->committer);
}

void pw_threads_stop_leases(struct pw_threads *t)
{
    if (!t || !t->leases.started)
        return;
    pw_leases_stop(t->engine->leases);
    pw_thread_join(&t->leases);
}

void pw_threads_stop_jobs(struct pw_threads *t)
{
    if (!t || !t->jobs.started)
        return;
    pw_jobs_stop(t->engine->jobs);
    pw_thread_join(&t->jobs);
}

void pw_threads_stop_breakers(struct pw_threads *t)
{
    if (!t || !t->breakers.started)
        return;
    pw_breakers_stop(t->engine->breakers);
    pw_thread_join(&t->breakers);
}

void pw_threads_stop_bulks(struct pw_threads *t)
{
    if (!t || !t->bulks.started)
        return;
    pw_bulks_stop(t->engine->bulks);
    pw_thread_join(&t->bulks);
}

void pw_threads_free(struct pw_threads *t)
{
    pw_free(t);
}
