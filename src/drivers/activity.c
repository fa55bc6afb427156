/* activity.c - runs C activities on a bounded pool of threads.
 *
 *     submit --> QUEUED --> RUNNING ------> ENDED: callback
 *         |       ^ |'- cancel -> DROPPED --^
 *         '- HELD -'           (from HELD, too)
 *
 * Limits      A function that may run so often at once has a lane: what is above that is HELD there, in
 *             order, and is queued when one of them has left. A stuck one leaves when it returns: so no
 *             function takes more threads than it may, whatever it does.
 * Threads     Workers are made when there is work for them, up to `threads`. A function that is
 *             past its deadline cannot be stopped: its worker counts as stuck and another takes its
 *             place, up to twice `threads` in all; with more stuck functions than that, what is
 *             queued waits until one returns. The watcher thread ends jobs at their deadline and
 *             calls back for those that will not run, so that no callback comes on the thread that
 *             asked.
 * Time        An attempt's deadline and silence count from the start of its function. Running jobs
 *             are in a heap by when they must be looked at; a heartbeat only stores the time, and
 *             the watcher moves the job when it gets there.
 * Ownership   Who moves a job to ENDED under the lock (worker or watcher, once) owns its end,
 *             result, error and arena until the callback, and then the receiver does. A function
 *             that still runs touches only `answer`, which nobody else reads then, and its flags,
 *             which are atomic: its result is dropped. The last of receiver and worker frees it.
 * Cancel      A running function is told by its flag; its end is CANCELLED, whenever it returns and
 *             whatever with.
 *
 * The lock is never held while calling out. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "drivers/activity.h"
#include "drivers/drivers_internal.h"
#include "base/json.h"

#define DEADLINE_MS 300000 /* ActivityExecution */
#define THREADS 16
#define RETRY_AFTER_MAX_MS 86400000 /* as of a job */
#define NEVER UINT64_MAX

typedef enum job_state { JOB_NEW, JOB_HELD, JOB_QUEUED, JOB_DROPPED, JOB_RUNNING, JOB_ENDED } job_state;

struct pawl_activity {
    pw_job job;       /* first: one allocation */
    atomic_uint refs; /* receiver and pool; acq_rel: the last one sees all writes before it frees */
    atomic_int cancelled; /* a flag for the function, nothing is read on its account: relaxed */
    atomic_uint_least64_t beat_ms; /* of the last heartbeat: relaxed */

    /* Under the pool's lock. */
    job_state state;
    bool cancel_wanted;
    bool unable; /* no memory to run it */
    pw_visit_entry entry;
    struct lane *lane;                     /* NULL: its function has no limit */
    struct pawl_activity *before, *behind; /* in `queue`, `dropped`, or what its lane holds */
    uint64_t started_ms, due_ms;
    size_t heap_at;

    /* The function's, until the job has ended in time. */
    pw_arena answer; /* texts, then what the function answered */
    pw_arena_mark answer_mark;
    char *instance, *task, *key;
    bool has_failed;
    pw_value result, error;
    pw_retry_said retry; /* whether another attempt may help, as far as the function has said, and when */
    uint64_t retry_after_ms;
    pw_value no_memory; /* made at the start, for when nothing can be made */
};

typedef struct worker {
    pw_pool *pool;
    pthread_t thread;
    enum { WORKER_NONE, WORKER_RUNS, WORKER_ENDED } state;
} worker;

typedef struct job_list {
    pawl_activity *first, *last;
} job_list;

/* Of a function with a limit; there as long as the pool. */
typedef struct lane {
    struct lane *next;
    uint32_t taken; /* that are queued or run, stuck ones too */
    uint32_t at_once;
    job_list held;
    size_t length;
    char name[];
} lane;

struct pw_pool {
    uint32_t threads;
    pw_job_done_fn on_done;
    void *context;
    /* Workers have the mask of the thread that made the pool: a process that a function starts
     * inherits it. */
    sigset_t signals;
    pthread_t watcher;

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work;  /* for workers: there is something in the queue, or the end */
    pthread_cond_t watch; /* for the watcher: earlier deadline, dropped job, the end; monotonic */
    pw_visit_set visits;
    lane *lanes;
    job_list queue;
    job_list dropped; /* will not run, not called back yet */
    pawl_activity **heap;
    size_t running;
    worker *workers; /* 2 * threads places */
    uint32_t worker_count, idle, stuck;
    uint64_t watch_until_ms; /* the watcher looks by itself then */
    bool stopping, watcher_stops;
};

/* ------------------------------------------------------------------ jobs */

static pw_value problem(pw_arena *arena, int64_t status, pw_value title, pw_value detail)
{
    return pw_object_of(arena,
                        (pw_member[]){ { PW_LIT("status"), pw_int(status) },
                                       { PW_LIT("title"), title },
                                       { PW_LIT("detail"), detail } },
                        3);
}

pw_job *pw_job_new(void)
{
    pawl_activity *activity = pw_zalloc(sizeof *activity);
    if (!activity)
        return NULL;
    pw_arena_init(&activity->job.arena, 0);
    pw_arena_init(&activity->answer, 0);
    atomic_init(&activity->refs, 1);
    atomic_init(&activity->cancelled, 0);
    atomic_init(&activity->beat_ms, 0);
    activity->job.driver = activity;
    activity->no_memory = problem(&activity->answer, 500, pw_string_ref(PW_LIT("no-memory")),
                                  pw_string_ref(PW_LIT("out of memory")));
    if (activity->answer.failed) {
        pw_job_release(&activity->job);
        return NULL;
    }
    return &activity->job;
}

void pw_job_release(pw_job *job)
{
    if (!job)
        return;
    pawl_activity *activity = job->driver;
    if (atomic_fetch_sub_explicit(&activity->refs, 1, memory_order_acq_rel) != 1)
        return;
    pw_arena_done(&job->arena);
    pw_arena_done(&activity->answer);
    pw_free(activity);
}

/* The function may read these after the receiver has given the arena up. */
static bool copy_texts(pawl_activity *activity)
{
    struct {
        char **to;
        pw_str from;
    } texts[] = { { &activity->instance, activity->job.instance },
                  { &activity->task, activity->job.task },
                  { &activity->key, activity->job.key } };
    for (size_t i = 0; i < PW_LENGTH(texts); i++) {
        char *copy = pw_arena_alloc(&activity->answer, texts[i].from.len + 1);
        if (!copy)
            return false;
        if (texts[i].from.len)
            memcpy(copy, texts[i].from.ptr, texts[i].from.len);
        copy[texts[i].from.len] = '\0';
        *texts[i].to = copy;
    }
    activity->answer_mark = pw_arena_at(&activity->answer);
    return true;
}

/* ------------------------------------------------------------------ lists: under the lock */

static void list_add(job_list *list, pawl_activity *activity)
{
    activity->before = list->last;
    activity->behind = NULL;
    if (list->last)
        list->last->behind = activity;
    else
        list->first = activity;
    list->last = activity;
}

static void list_remove(job_list *list, pawl_activity *activity)
{
    if (activity->before)
        activity->before->behind = activity->behind;
    else
        list->first = activity->behind;
    if (activity->behind)
        activity->behind->before = activity->before;
    else
        list->last = activity->before;
    activity->before = activity->behind = NULL;
}

static void heap_put(pw_pool *pool, size_t at, pawl_activity *activity)
{
    pool->heap[at] = activity;
    activity->heap_at = at;
}

/* Moves the entry at `at` to where its due time belongs. */
static void heap_fix(pw_pool *pool, size_t at)
{
    pawl_activity *activity = pool->heap[at];
    while (at > 0 && pool->heap[(at - 1) / 2]->due_ms > activity->due_ms) {
        heap_put(pool, at, pool->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (size_t child; (child = 2 * at + 1) < pool->running; at = child) {
        if (child + 1 < pool->running && pool->heap[child + 1]->due_ms < pool->heap[child]->due_ms)
            child++;
        if (pool->heap[child]->due_ms >= activity->due_ms)
            break;
        heap_put(pool, at, pool->heap[child]);
    }
    heap_put(pool, at, activity);
}

static void heap_add(pw_pool *pool, pawl_activity *activity)
{
    PW_ASSERT(pool->running < 2 * (size_t)pool->threads);
    heap_put(pool, pool->running++, activity);
    heap_fix(pool, activity->heap_at);
}

static void heap_remove(pw_pool *pool, pawl_activity *activity)
{
    size_t at = activity->heap_at;
    PW_ASSERT(at < pool->running && pool->heap[at] == activity);
    pawl_activity *last = pool->heap[--pool->running];
    if (last == activity)
        return;
    heap_put(pool, at, last);
    heap_fix(pool, at);
}

/* ------------------------------------------------------------------ ends */

/* Under the lock: from here on the job is the caller's to end. */
static void claim(pw_pool *pool, pawl_activity *activity)
{
    PW_ASSERT(activity->state != JOB_ENDED);
    if (activity->state == JOB_RUNNING)
        heap_remove(pool, activity);
    activity->state = JOB_ENDED;
    pw_visit_remove(&pool->visits, &activity->entry);
}

/* Without the lock. Hands the receiver's reference back. */
static void call_back(pw_pool *pool, pawl_activity *activity)
{
    activity->job.next = NULL;
    pool->on_done(pool->context, &activity->job);
}

static void set_failed(pawl_activity *activity, pw_value error)
{
    activity->job.end = PW_JOB_FAILED;
    activity->job.error = pw_is(error, PW_NONE) ? activity->no_memory : error;
}

/* What the function's return means; the job is claimed, and the function has ended. */
static void set_answer(pawl_activity *activity, pawl_code code)
{
    pw_job *job = &activity->job;
    if (activity->has_failed) {
        set_failed(activity, activity->error);
        job->retry = activity->retry;
        job->retry_after_ms = activity->retry_after_ms;
    } else if (code != PAWL_OK) {
        set_failed(activity,
                   problem(&activity->answer, 500, pw_string_ref(pw_str_of(pawl_code_name(code))),
                           (pw_value){ 0 }));
    } else {
        job->end = PW_JOB_RETURNED;
        job->result = pw_is(activity->result, PW_NONE) ? pw_null() : activity->result;
    }
}

static void set_timed_out(pawl_activity *activity, uint64_t deadline_ms, uint64_t heartbeat_ms)
{
    pw_job *job = &activity->job;
    pw_str detail = deadline_ms ? pw_arena_printf(&job->arena, "no result within %llu ms",
                                                  (unsigned long long)deadline_ms)
                                : pw_arena_printf(&job->arena, "no heartbeat for %llu ms",
                                                  (unsigned long long)heartbeat_ms);
    pw_value error = problem(&job->arena, 408, pw_string_ref(PW_LIT("timeout")),
                             detail.ptr ? pw_string_ref(detail) : (pw_value){ 0 });
    job->end = PW_JOB_TIMED_OUT;
    job->error = pw_is(error, PW_NONE) ? activity->no_memory : error;
}

/* ------------------------------------------------------------------ workers */

static void *work(void *context);

/* Under the lock: one more worker, if there is work for it and it may be. */
static int add_worker(pw_pool *pool)
{
    uint32_t places = 2 * pool->threads;
    if (pool->worker_count - pool->stuck >= pool->threads || pool->worker_count >= places)
        return 0;
    worker *place = pool->workers;
    while (place->state == WORKER_RUNS)
        place++;
    PW_ASSERT(place < pool->workers + places);
    if (place->state == WORKER_ENDED)
        (void)pthread_join(place->thread, NULL); /* it has left the lock for the last time */
    place->state = WORKER_NONE;
    place->pool = pool;
    int failed = pthread_create(&place->thread, NULL, work, place);
    if (failed)
        return failed; /* those that are there do the work */
    place->state = WORKER_RUNS;
    pool->worker_count++;
    return 0;
}

static void need_worker(pw_pool *pool)
{
    if (pool->idle > 0)
        (void)pthread_cond_signal(&pool->work);
    /* A signalled worker counts as idle until it has the lock: look at what is queued, too. */
    size_t queued = 0;
    for (const pawl_activity *activity = pool->queue.first; activity && queued <= pool->idle;
         activity = activity->behind)
        queued++;
    if (queued > pool->idle)
        (void)add_worker(pool);
}

static uint64_t due_ms(const pawl_activity *activity)
{
    const pawl_activity_options *options = &activity->job.activity;
    uint64_t longest = options->deadline_ms ? options->deadline_ms : DEADLINE_MS;
    uint64_t due = longest > NEVER - activity->started_ms ? NEVER : activity->started_ms + longest;
    if (options->heartbeat_ms) {
        uint64_t beat = atomic_load_explicit(&activity->beat_ms, memory_order_relaxed);
        uint64_t silent =
            options->heartbeat_ms > NEVER - beat ? NEVER : beat + options->heartbeat_ms;
        if (silent < due)
            due = silent;
    }
    return due;
}

static pawl_activity *take_job(pw_pool *pool)
{
    pawl_activity *activity = pool->queue.first;
    list_remove(&pool->queue, activity);
    activity->state = JOB_RUNNING;
    activity->started_ms = pw_drivers_now_ms();
    atomic_store_explicit(&activity->beat_ms, activity->started_ms, memory_order_relaxed);
    activity->due_ms = due_ms(activity);
    heap_add(pool, activity);
    if (activity->due_ms < pool->watch_until_ms)
        (void)pthread_cond_signal(&pool->watch);
    return activity;
}

/* ------------------------------------------------------------------ lanes: under the lock */

/* NULL: out of memory. */
static lane *lane_of(pw_pool *pool, const pawl_activity_options *options)
{
    size_t length = strlen(options->name);
    lane *l = pool->lanes;
    while (l && (l->length != length || memcmp(l->name, options->name, length) != 0))
        l = l->next;
    if (l)
        return l;
    l = pw_zalloc(sizeof *l + length + 1);
    if (!l)
        return NULL;
    memcpy(l->name, options->name, length + 1);
    l->length = length;
    l->at_once = options->at_once;
    l->next = pool->lanes;
    pool->lanes = l;
    return l;
}

static void enqueue(pw_pool *pool, pawl_activity *activity)
{
    activity->state = JOB_QUEUED;
    if (activity->lane)
        activity->lane->taken++;
    list_add(&pool->queue, activity);
    need_worker(pool);
}

/* It is neither queued nor runs any more: there is room for another of its function. */
static void leave_lane(pw_pool *pool, pawl_activity *activity)
{
    lane *l = activity->lane;
    if (!l)
        return;
    PW_ASSERT(l->taken > 0);
    l->taken--;
    pawl_activity *next = l->held.first;
    if (!next)
        return;
    list_remove(&l->held, next);
    enqueue(pool, next);
}

/* With the lock held at begin and end, but not in between. */
static void run_job(pw_pool *pool, pawl_activity *activity)
{
    (void)pthread_mutex_unlock(&pool->lock);
    const pawl_activity_options *options = &activity->job.activity;
    PW_FAULT("activity-before-run");
    pawl_code code = options->run(
        activity, activity->job.input.len ? activity->job.input.ptr : "null", options->context);
    PW_FAULT("activity-after-run");
    (void)pthread_mutex_lock(&pool->lock);
    leave_lane(pool, activity);
    if (activity->state == JOB_RUNNING) {
        bool cancelled = activity->cancel_wanted;
        claim(pool, activity);
        (void)pthread_mutex_unlock(&pool->lock);
        if (cancelled)
            activity->job.end = PW_JOB_CANCELLED;
        else
            set_answer(activity, code);
        call_back(pool, activity);
    } else {
        PW_ASSERT(pool->stuck >
                  0); /* the watcher ended it; what the function says is not wanted any more */
        pool->stuck--;
        (void)pthread_mutex_unlock(&pool->lock);
    }
    pw_job_release(&activity->job); /* the pool's reference */
    (void)pthread_mutex_lock(&pool->lock);
}

static void *work(void *context)
{
    worker *self = context;
    pw_pool *pool = self->pool;
    (void)pthread_setname_np(pthread_self(), "pawl-activity");
    (void)pthread_sigmask(SIG_SETMASK, &pool->signals, NULL);
    (void)pthread_mutex_lock(&pool->lock);
    for (;;) {
        if (pool->worker_count - pool->stuck > pool->threads)
            break; /* a stuck function has come back: one too many */
        if (pool->queue.first) {
            run_job(pool, take_job(pool));
            continue;
        }
        if (pool->stopping)
            break;
        pool->idle++;
        (void)pthread_cond_wait(&pool->work, &pool->lock);
        pool->idle--;
    }
    self->state = WORKER_ENDED;
    pool->worker_count--;
    (void)pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* ------------------------------------------------------------------ watcher */

/* Calls back for one job that will not run. With the lock held at begin and end. */
static void end_dropped(pw_pool *pool)
{
    pawl_activity *activity = pool->dropped.first;
    list_remove(&pool->dropped, activity);
    claim(pool, activity);
    (void)pthread_mutex_unlock(&pool->lock);
    activity->job.end = PW_JOB_CANCELLED;
    if (activity->unable)
        set_failed(activity, activity->no_memory);
    call_back(pool, activity);
    pw_job_release(&activity->job);
    (void)pthread_mutex_lock(&pool->lock);
}

/* Ends the running job that is due, or finds out that it has given a sign of life. */
static void end_due(pw_pool *pool, uint64_t now_ms)
{
    pawl_activity *activity = pool->heap[0];
    activity->due_ms = due_ms(activity);
    if (activity->due_ms > now_ms) {
        heap_fix(pool, 0);
        return;
    }
    const pawl_activity_options *options = &activity->job.activity;
    uint64_t longest = options->deadline_ms ? options->deadline_ms : DEADLINE_MS;
    bool silent = now_ms - activity->started_ms < longest;
    bool cancelled = activity->cancel_wanted;
    claim(pool, activity);
    pool->stuck++;
    if (pool->queue.first)
        need_worker(pool);
    atomic_store_explicit(&activity->cancelled, 1, memory_order_relaxed);
    (void)pthread_mutex_unlock(&pool->lock);
    if (cancelled)
        activity->job.end = PW_JOB_CANCELLED;
    else
        set_timed_out(activity, silent ? 0 : longest, options->heartbeat_ms);
    call_back(pool, activity);
    (void)pthread_mutex_lock(&pool->lock);
}

static void wait_until(pw_pool *pool, uint64_t ms)
{
    pool->watch_until_ms = ms;
    if (ms == NEVER) {
        (void)pthread_cond_wait(&pool->watch, &pool->lock);
        return;
    }
    struct timespec until = { .tv_sec = (time_t)(ms / 1000),
                              .tv_nsec = (long)(ms % 1000) * 1000000 };
    (void)pthread_cond_timedwait(&pool->watch, &pool->lock, &until);
}

static void *watch(void *context)
{
    pw_pool *pool = context;
    (void)pthread_setname_np(pthread_self(), "pawl-deadline");
    (void)pthread_mutex_lock(&pool->lock);
    for (;;) {
        uint64_t now_ms = pw_drivers_now_ms();
        if (pool->dropped.first)
            end_dropped(pool);
        else if (pool->running && pool->heap[0]->due_ms <= now_ms)
            end_due(pool, now_ms);
        else if (pool->watcher_stops)
            break;
        else
            wait_until(pool, pool->running ? pool->heap[0]->due_ms : NEVER);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* ------------------------------------------------------------------ any thread */

static void drop(pw_pool *pool, pawl_activity *activity)
{
    activity->state = JOB_DROPPED;
    list_add(&pool->dropped, activity);
    (void)pthread_cond_signal(&pool->watch);
}

void pw_pool_submit(pw_pool *pool, pw_job *job)
{
    pawl_activity *activity = job->driver;
    PW_ASSERT(activity && activity->state == JOB_NEW && job->activity.run);
    (void)pw_arena_guard(&job->arena, NULL);
    job->next = NULL;
    job->result = job->error = (pw_value){ 0 };
    bool ready = copy_texts(activity);
    atomic_fetch_add_explicit(&activity->refs, 1, memory_order_relaxed); /* the pool's */
    (void)pthread_mutex_lock(&pool->lock);
    pw_visit_add(&pool->visits, &activity->entry, job->instance, job->visit);
    if (job->activity.at_once && ready)
        ready = (activity->lane = lane_of(pool, &job->activity)) != NULL;
    if (pool->stopping || !ready) {
        activity->unable = !ready;
        drop(pool, activity);
    } else if (activity->lane && activity->lane->taken >= activity->lane->at_once) {
        activity->state = JOB_HELD;
        list_add(&activity->lane->held, activity);
    } else {
        enqueue(pool, activity);
    }
    (void)pthread_mutex_unlock(&pool->lock);
}

static void cancel_one(pw_pool *pool, pawl_activity *activity)
{
    if (activity->cancel_wanted)
        return;
    activity->cancel_wanted = true;
    atomic_store_explicit(&activity->cancelled, 1, memory_order_relaxed);
    if (activity->state == JOB_HELD) {
        list_remove(&activity->lane->held, activity);
        drop(pool, activity);
    } else if (activity->state == JOB_QUEUED) {
        list_remove(&pool->queue, activity);
        drop(pool, activity);
        leave_lane(pool, activity);
    }
}

static pawl_activity *activity_of(pw_visit_entry *entry)
{
    return (pawl_activity *)(void *)((char *)entry - offsetof(pawl_activity, entry));
}

void pw_pool_cancel(pw_pool *pool, pw_str instance, uint64_t visit)
{
    (void)pthread_mutex_lock(&pool->lock);
    for (pw_visit_entry *entry = NULL;
         (entry = pw_visit_find(&pool->visits, entry, instance, visit)) != NULL;)
        cancel_one(pool, activity_of(entry));
    (void)pthread_mutex_unlock(&pool->lock);
}

/* ------------------------------------------------------------------ what the function may call */

const char *pawl_activity_instance(const pawl_activity *activity)
{
    return activity ? activity->instance : "";
}

const char *pawl_activity_task(const pawl_activity *activity)
{
    return activity ? activity->task : "";
}

uint32_t pawl_activity_attempt(const pawl_activity *activity)
{
    return activity ? activity->job.attempt : 0;
}

const char *pawl_activity_idempotency_key(const pawl_activity *activity)
{
    return activity ? activity->key : "";
}

/* The last answer holds. */
static void forget_answer(pawl_activity *activity)
{
    activity->result = activity->error = (pw_value){ 0 };
    activity->has_failed = false;
    activity->retry = PW_RETRY_BY_CLASS;
    activity->retry_after_ms = 0;
    pw_arena_rewind(&activity->answer, activity->answer_mark);
}

static pw_value text_value(pw_arena *arena, const char *text)
{
    if (!text)
        return (pw_value){ 0 };
    return pw_string(arena, pw_drivers_utf8(arena, pw_str_of(text)));
}

static void fail(pawl_activity *activity, int status, const char *title, const char *detail, const char *type)
{
    forget_answer(activity);
    pw_arena *arena = &activity->answer;
    activity->has_failed = true;
    activity->error = problem(arena, status > 0 ? status : 500, text_value(arena, title),
                              text_value(arena, detail));
    if (type)
        activity->error = pw_with(arena, activity->error, PW_LIT("type"), text_value(arena, type));
    if (arena->failed)
        activity->error = activity->no_memory;
}

pawl_code pawl_activity_return(pawl_activity *activity, const char *json, pawl_error *err)
{
    pawl_error local = { 0 };
    if (!activity || !json)
        return pw_fail(err, PAWL_INVALID, "pawl_activity_return: activity and json are required");
    forget_answer(activity);
    pw_value result;
    pawl_code code = pw_json_parse(&result, pw_str_of(json), NULL, &activity->answer, &local);
    if (code == PAWL_OK) {
        activity->result = result;
        return PAWL_OK;
    }
    (void)pw_error_context(&local, code, "result of an activity");
    /* A function that does not look at this code must not end with a result it did not give. */
    fail(activity, 500, pawl_code_name(code), local.message, NULL);
    if (err)
        *err = local;
    return code;
}

pawl_code pawl_activity_fail(pawl_activity *activity, int status, const char *title,
                             const char *detail)
{
    if (activity)
        fail(activity, status, title, detail, NULL);
    return PAWL_INVALID;
}

/* What a job of a worker is refused for is cut to what can be: a function that fails has nobody who looks at a code. */
pawl_code pawl_activity_fail_with(pawl_activity *activity, const struct pawl_job_failure *failure)
{
    pawl_job_failure f = { 0 };
    if (failure)
        memcpy(&f, failure, failure->struct_size < sizeof f ? failure->struct_size : sizeof f);
    if (!activity)
        return PAWL_INVALID;
    fail(activity, f.status, f.title, f.detail, f.type);
    activity->retry = f.retryable ? PW_RETRY_YES : PW_RETRY_NO;
    activity->retry_after_ms = f.retry_after_ms < RETRY_AFTER_MAX_MS ? f.retry_after_ms : RETRY_AFTER_MAX_MS;
    return PAWL_INVALID;
}

int pawl_activity_cancelled(const pawl_activity *activity)
{
    return activity ? atomic_load_explicit(&activity->cancelled, memory_order_relaxed) : 0;
}

int pawl_activity_heartbeat(pawl_activity *activity)
{
    if (activity)
        atomic_store_explicit(&activity->beat_ms, pw_drivers_now_ms(), memory_order_relaxed);
    return pawl_activity_cancelled(activity);
}

/* ------------------------------------------------------------------ open and close */

static void init_sync(pw_pool *pool)
{
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->work, NULL);
    (void)pthread_cond_init(&pool->watch, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
}

static void release(pw_pool *pool)
{
    (void)pthread_cond_destroy(&pool->watch);
    (void)pthread_cond_destroy(&pool->work);
    (void)pthread_mutex_destroy(&pool->lock);
    for (lane *l = pool->lanes, *next = NULL; l; l = next) {
        next = l->next;
        PW_ASSERT(l->taken == 0 && !l->held.first);
        pw_free(l);
    }
    pw_free(pool->workers);
    pw_free(pool->heap);
    pw_visit_done(&pool->visits);
    pw_free(pool);
}

static void join_workers(pw_pool *pool)
{
    for (uint32_t i = 0; i < 2 * pool->threads; i++) {
        (void)pthread_mutex_lock(&pool->lock);
        bool made = pool->workers[i].state != WORKER_NONE; /* closing: no new one comes */
        (void)pthread_mutex_unlock(&pool->lock);
        if (made)
            (void)pthread_join(pool->workers[i].thread, NULL);
    }
}

/* The watcher, and the first worker: so there is always one, whatever happens later. */
static pawl_code start_threads(pw_pool *pool, pawl_error *err)
{
    sigset_t none;
    pw_drivers_no_signals(&none);
    (void)pthread_sigmask(SIG_BLOCK, &none, &pool->signals);
    int failed = pthread_create(&pool->watcher, NULL, watch, pool);
    (void)pthread_sigmask(SIG_SETMASK, &pool->signals, NULL);
    if (failed)
        return pw_fail_native(err, PAWL_IO, failed,
                              "cannot start a thread for activities: error %d", failed);
    (void)pthread_mutex_lock(&pool->lock);
    failed = add_worker(pool);
    pool->watcher_stops = failed != 0;
    (void)pthread_cond_signal(&pool->watch);
    (void)pthread_mutex_unlock(&pool->lock);
    if (!failed)
        return PAWL_OK;
    (void)pthread_join(pool->watcher, NULL);
    return pw_fail_native(err, PAWL_IO, failed, "cannot start a thread for activities: error %d",
                          failed);
}

pawl_code pw_pool_new(pw_pool **out, const pw_pool_options *options, pw_job_done_fn on_done,
                      void *context, pawl_error *err)
{
    uint32_t threads = options && options->threads ? options->threads : THREADS;
    if (threads > PW_POOL_THREADS_MAX)
        return pw_fail(err, PAWL_INVALID, "activity threads must be 1 to %d, not %u",
                       PW_POOL_THREADS_MAX, threads);
    pw_pool *pool = pw_zalloc(sizeof *pool);
    if (!pool)
        return pw_no_memory(err);
    pool->threads = threads;
    pool->on_done = on_done;
    pool->context = context;
    pool->watch_until_ms = NEVER;
    init_sync(pool);
    pool->heap = pw_zalloc(2 * (size_t)threads * sizeof *pool->heap);
    pool->workers = pw_zalloc(2 * (size_t)threads * sizeof *pool->workers);
    pawl_code code = pool->heap && pool->workers ? start_threads(pool, err) : pw_no_memory(err);
    if (code != PAWL_OK) {
        release(pool);
        return code;
    }
    *out = pool;
    return PAWL_OK;
}

void pw_pool_free(pw_pool *pool)
{
    if (!pool)
        return;
    (void)pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    size_t count;
    pw_visit_entry **buckets = pw_visit_buckets(&pool->visits, &count);
    for (size_t i = 0; i < count; i++) {
        for (pw_visit_entry *entry = buckets[i]; entry; entry = entry->next)
            cancel_one(pool, activity_of(entry));
    }
    (void)pthread_cond_broadcast(&pool->work);
    (void)pthread_mutex_unlock(&pool->lock);
    join_workers(pool);
    (void)pthread_mutex_lock(&pool->lock);
    pool->watcher_stops = true;
    (void)pthread_cond_signal(&pool->watch);
    (void)pthread_mutex_unlock(&pool->lock);
    (void)pthread_join(pool->watcher, NULL);
    PW_ASSERT(pool->running == 0);
    release(pool);
}
