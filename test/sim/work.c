/* work.c - activity.h, played: attempts of activities take simulated time, fail, come to no end, or
 * fall silent.
 *
 * No function is run: what an attempt comes to is drawn when it is handed out. As with the real
 * pool, an attempt ends once: by its result, by its deadline, or cancelled; the function that is
 * past its deadline goes on somewhere, and nobody hears of it. */
#include "sim.h"
#include "drivers/activity.h"
#include "base/json.h"

enum { DEADLINE_MS = 300000 };

typedef struct attempt {
    pw_job job; /* first */
    struct attempt *later;
    uint64_t due_ns; /* true time of its end */
    bool cancelled;
} attempt;

struct pw_pool {
    sim_node *node;
    pw_job_done_fn on_done;
    void *context;
    attempt *first;
    bool stop;
    sim_thread thread;
};

/* ------------------------------------------------------------------ what functions there are */

static pawl_code never_run(pawl_activity *activity, const char *input, void *context)
{
    (void)activity, (void)input, (void)context;
    return PAWL_INVALID; /* the pool below says what comes of it */
}

#define ACTIVITY(n, deadline, heartbeat)                                                           \
    {                                                                                              \
        .struct_size = sizeof(pawl_activity_options), .name = n, .run = never_run,                 \
        .deadline_ms = deadline, .heartbeat_ms = heartbeat                                         \
    }
const pawl_activity_options sim_activities[] = {
    ACTIVITY("pack", 0, 0),
    ACTIVITY("weigh", 2000, 0),
    ACTIVITY("film", 60000, 1000),
};
const size_t sim_activity_count = PW_LENGTH(sim_activities);

/* ------------------------------------------------------------------ jobs */

pw_job *pw_job_new(void)
{
    attempt *a = pw_zalloc(sizeof *a);
    if (!a)
        return NULL;
    pw_arena_init(&a->job.arena, 0);
    return &a->job;
}

void pw_job_release(pw_job *job)
{
    if (!job)
        return;
    pw_arena_done(&job->arena);
    pw_free(job);
}

static pw_value problem(pw_arena *arena, int64_t status, const char *title)
{
    return pw_object_of(arena,
                        (pw_member[]){ { PW_LIT("status"), pw_int(status) },
                                       { PW_LIT("title"), pw_string_ref(pw_str_of(title)) } },
                        2);
}

static void end(pw_pool *pool, attempt *a)
{
    attempt **at = &pool->first;
    while (*at != a)
        at = &(*at)->later;
    *at = a->later;
    if (a->cancelled)
        a->job.end = PW_JOB_CANCELLED;
    sim_note("activity: i%u visit %llu attempt %u ends as %d", sim_alias(a->job.instance),
             (unsigned long long)a->job.visit, a->job.attempt, (int)a->job.end);
    sim_point("activity-after-run");
    pool->on_done(pool->context, &a->job);
}

static void work(void *context)
{
    pw_pool *pool = context;
    for (;;) {
        attempt *due = NULL;
        uint64_t next = UINT64_MAX;
        for (attempt *a = pool->first; a; a = a->later) {
            uint64_t at = a->cancelled || pool->stop ? 0 : a->due_ns;
            if (at <= sim_now_ns && !due)
                due = a;
            if (at < next)
                next = at;
        }
        if (due) {
            due->cancelled = due->cancelled || pool->stop;
            end(pool, due);
        } else if (pool->stop) {
            return;
        } else {
            (void)sim_wait(pool, next);
        }
    }
}

/* What it will come to, and when. */
static void draw(attempt *a)
{
    pw_job *job = &a->job;
    const pawl_activity_options *options = &job->activity;
    uint64_t most_ms = options->deadline_ms ? options->deadline_ms : DEADLINE_MS;
    uint64_t takes_ms = sim_below(SIM_ACTIVITY, sim_chance(SIM_ACTIVITY, 100) ? 5000 : 50);
    if (sim_fault(SIM_WORK, SIM_ACTIVITY, 60)) /* it does not return */
        takes_ms = most_ms + 1;
    else if (sim_fault(SIM_WORK, SIM_ACTIVITY, 60) && options->heartbeat_ms) /* it falls silent */
        takes_ms = most_ms + 1, most_ms = options->heartbeat_ms;
    bool in_time = takes_ms < most_ms;
    a->due_ns = sim_now_ns + (in_time ? takes_ms : most_ms) * SIM_MS;
    if (!in_time) {
        job->end = PW_JOB_TIMED_OUT;
        job->error = problem(&job->arena, 408, "timeout");
    } else if (sim_fault(SIM_WORK, SIM_ACTIVITY, 150)) {
        job->end = PW_JOB_FAILED;
        job->error = problem(&job->arena, 500 + (int64_t)sim_below(SIM_ACTIVITY, 4), "failed");
    } else {
        job->end = PW_JOB_RETURNED;
        job->result = pw_object_of(
            &job->arena,
            (pw_member[]){ { PW_LIT("weight"), pw_int((int64_t)sim_below(SIM_ACTIVITY, 9)) } }, 1);
    }
}

/* ------------------------------------------------------------------ the pool */

pawl_code pw_pool_new(pw_pool **out, const pw_pool_options *options, pw_job_done_fn on_done,
                      void *context, pawl_error *err)
{
    (void)options;
    pw_pool *pool = pw_zalloc(sizeof *pool);
    if (!pool)
        return pw_no_memory(err);
    pool->node = sim_self();
    pool->on_done = on_done;
    pool->context = context;
    pool->thread = sim_spawn(pool->node, "activities", work, pool);
    *out = pool;
    return PAWL_OK;
}

void pw_pool_submit(pw_pool *pool, pw_job *job)
{
    attempt *a = (attempt *)job;
    sim_point("activity-before-run");
    sim_ledger_attempt(job->instance, job->visit, job->attempt, job->key, job->input);
    if (sim_settings.plant == SIM_PLANT_TWICE && sim_chance(SIM_ACTIVITY, 30))
        sim_ledger_attempt(job->instance, job->visit, job->attempt, job->key, job->input);
    sim_out->jobs++;
    draw(a);
    a->later = pool->first;
    pool->first = a;
    sim_wake(pool);
}

void pw_pool_cancel(pw_pool *pool, pw_str instance, uint64_t visit)
{
    for (attempt *a = pool->first; a; a = a->later)
        if (a->job.visit == visit && pw_str_eq(a->job.instance, instance))
            a->cancelled = true;
    sim_wake(pool);
}

void pw_pool_free(pw_pool *pool)
{
    if (!pool)
        return;
    pool->stop = true;
    sim_wake(pool);
    sim_join(pool->thread);
    PW_ASSERT(pool->first == NULL);
    pw_free(pool);
}
