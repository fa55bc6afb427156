/* The pool of activities: results, failures, deadlines, cancels; no test waits for time to pass but
 * for events. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include "test.h"
#include "drivers/activity.h"
#include "base/json.h"

enum { WAIT_S = 60, JOBS_MAX = 1024 };

/* A pool, the jobs that have come back, and a gate at which functions wait. */
typedef struct fixture {
    pw_pool *pool;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    pw_job *done[JOBS_MAX];
    unsigned count, waiting, running, running_max, ran, opened;
    bool follow; /* functions end when they are cancelled */
    const pawl_job_failure *failure;
} fixture;

static void on_done(void *context, pw_job *job)
{
    fixture *f = context;
    (void)pthread_mutex_lock(&f->lock);
    if (f->count < JOBS_MAX)
        f->done[f->count] = job;
    f->count++;
    (void)pthread_cond_broadcast(&f->changed);
    (void)pthread_mutex_unlock(&f->lock);
}

static fixture *open_with(uint32_t threads)
{
    pawl_error err;
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_cond_init(&f->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    EXPECT_OK(pw_pool_new(&f->pool, &(pw_pool_options){ .threads = threads }, on_done, f, &err),
              err);
    return f;
}

static void close_all(fixture *f)
{
    pw_pool_free(f->pool);
    for (unsigned i = 0; i < f->count; i++)
        pw_job_release(f->done[i]);
    (void)pthread_cond_destroy(&f->changed);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
}

static void wait_for(fixture *f, const unsigned *value, unsigned count)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WAIT_S;
    int code = 0;
    (void)pthread_mutex_lock(&f->lock);
    while (*value < count && code == 0)
        code = pthread_cond_timedwait(&f->changed, &f->lock, &until);
    unsigned have = *value;
    (void)pthread_mutex_unlock(&f->lock);
    if (have < count)
        fail_msg("%u of %u after %d s", have, count, WAIT_S);
}

static void wait_done(fixture *f, unsigned count)
{
    wait_for(f, &f->count, count);
}

static void open_gate(fixture *f, unsigned count)
{
    (void)pthread_mutex_lock(&f->lock);
    f->opened += count;
    (void)pthread_cond_broadcast(&f->changed);
    (void)pthread_mutex_unlock(&f->lock);
}

static pw_job *new_job(fixture *f, uint64_t visit, pawl_activity_fn run)
{
    pw_job *job = pw_job_new();
    assert_non_null(job);
    job->instance = PW_LIT("order-1");
    job->visit = visit;
    job->attempt = 3;
    job->task = PW_LIT("/do/0/charge");
    job->key = PW_LIT("key-1");
    job->input = PW_LIT("{\"amount\":5}");
    job->activity = (pawl_activity_options){
        .struct_size = sizeof job->activity, .name = "charge", .run = run, .context = f
    };
    return job;
}

/* Runs one function to its end. */
static pw_job *run(fixture *f, pawl_activity_fn function)
{
    unsigned before = f->count;
    pw_pool_submit(f->pool, new_job(f, 1, function));
    wait_done(f, before + 1);
    return f->done[before];
}

static void expect_json(pw_value value, const char *expected)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    EXPECT_STR(pw_json_text(&arena, value, PW_JSON_COMPACT), expected);
    pw_arena_done(&arena);
}

/* ------------------------------------------------------------------ functions */

static pawl_code returns_a_receipt(pawl_activity *activity, const char *input, void *context)
{
    (void)input, (void)context;
    return pawl_activity_return(activity, "{\"receipt\": 17, \"total\": 1.50}", NULL);
}

static pawl_code returns_nothing(pawl_activity *activity, const char *input, void *context)
{
    (void)activity, (void)input, (void)context;
    return PAWL_OK;
}

/* Waits at the gate; with `follow` until it is cancelled. */
static pawl_code waits(pawl_activity *activity, const char *input, void *context)
{
    (void)input;
    fixture *f = context;
    (void)pthread_mutex_lock(&f->lock);
    f->waiting++;
    if (++f->running > f->running_max)
        f->running_max = f->running;
    (void)pthread_cond_broadcast(&f->changed);
    while (!f->opened && !(f->follow && pawl_activity_cancelled(activity)))
        (void)pthread_cond_wait(&f->changed, &f->lock);
    if (f->opened)
        f->opened--;
    f->running--;
    f->ran++;
    (void)pthread_cond_broadcast(&f->changed);
    (void)pthread_mutex_unlock(&f->lock);
    return pawl_activity_return(activity, "\"late\"", NULL);
}

/* ------------------------------------------------------------------ results */

TEST(activity, a_result_comes_back_as_json)
{
    fixture *f = open_with(2);
    pw_job *job = run(f, returns_a_receipt);
    EXPECT_INT(job->end, PW_JOB_RETURNED);
    expect_json(job->result, "{\"receipt\":17,\"total\":1.50}");
    EXPECT(pw_is(job->error, PW_NONE));
    EXPECT_INT(job->visit, 1);
    close_all(f);
}

TEST(activity, without_a_result_it_is_null)
{
    fixture *f = open_with(2);
    pw_job *job = run(f, returns_nothing);
    EXPECT_INT(job->end, PW_JOB_RETURNED);
    expect_json(job->result, "null");
    close_all(f);
}

static pawl_code says_what_it_was_given(pawl_activity *activity, const char *input, void *context)
{
    (void)context;
    char json[512];
    (void)snprintf(json, sizeof json, "[%s,\"%s\",\"%s\",%u,\"%s\",%d,%d]", input,
                   pawl_activity_instance(activity), pawl_activity_task(activity),
                   pawl_activity_attempt(activity), pawl_activity_idempotency_key(activity),
                   pawl_activity_cancelled(activity), pawl_activity_heartbeat(activity));
    return pawl_activity_return(activity, json, NULL);
}

TEST(activity, the_function_is_told_who_asks_and_what_for)
{
    fixture *f = open_with(2);
    expect_json(run(f, says_what_it_was_given)->result,
                "[{\"amount\":5},\"order-1\",\"/do/0/charge\",3,\"key-1\",0,0]");
    close_all(f);
}

static pawl_code returns_twice(pawl_activity *activity, const char *input, void *context)
{
    (void)input, (void)context;
    if (pawl_activity_return(activity, "[1,2,3]", NULL) != PAWL_OK)
        return PAWL_STATE;
    return pawl_activity_return(activity, "\"second\"", NULL);
}

TEST(activity, the_last_result_holds)
{
    fixture *f = open_with(2);
    expect_json(run(f, returns_twice)->result, "\"second\"");
    close_all(f);
}

/* ------------------------------------------------------------------ failures */

static pawl_code fails_with_all(pawl_activity *activity, const char *input, void *context)
{
    (void)input, (void)context;
    return pawl_activity_fail(activity, 402, "card declined", "issuer says \"no\"");
}

static pawl_code fails_with_nothing(pawl_activity *activity, const char *input, void *context)
{
    (void)input, (void)context;
    return pawl_activity_fail(activity, 0, NULL, NULL);
}

static pawl_code fails_in_latin_1(pawl_activity *activity, const char *input, void *context)
{
    (void)input, (void)context;
    return pawl_activity_fail(activity, 500, "Andr\xe9", "");
}

static pawl_code fails_but_says_ok(pawl_activity *activity, const char *input, void *context)
{
    (void)input, (void)context;
    (void)pawl_activity_fail(activity, 409, "taken", NULL);
    return PAWL_OK;
}

static pawl_code fails_by_code(pawl_activity *activity, const char *input, void *context)
{
    (void)input, (void)context;
    (void)!pawl_activity_return(activity, "1", NULL);
    return PAWL_NOT_FOUND;
}

TEST(activity, a_failure_is_what_the_workflow_sees)
{
    static const struct {
        pawl_activity_fn run;
        const char *error;
    } cases[] = {
        { fails_with_all,
          "{\"status\":402,\"title\":\"card declined\",\"detail\":\"issuer says \\\"no\\\"\"}" },
        { fails_with_nothing, "{\"status\":500}" },
        { fails_in_latin_1, "{\"status\":500,\"title\":\"Andr\xc3\xa9\",\"detail\":\"\"}" },
        { fails_but_says_ok, "{\"status\":409,\"title\":\"taken\"}" },
        { fails_by_code, "{\"status\":500,\"title\":\"not-found\"}" },
    };
    fixture *f = open_with(2);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pw_job *job = run(f, cases[i].run);
        EXPECT_INT(job->end, PW_JOB_FAILED);
        expect_json(job->error, cases[i].error);
        EXPECT(pw_is(job->result, PW_NONE));
    }
    close_all(f);
}

static pawl_code returns_no_json(pawl_activity *activity, const char *input, void *context)
{
    (void)input, (void)context;
    pawl_error err;
    if (pawl_activity_return(activity, "{broken", &err) != PAWL_INVALID ||
        err.code != PAWL_INVALID || !strstr(err.message, "result of an activity: ") ||
        pawl_activity_return(NULL, "1", NULL) != PAWL_INVALID ||
        pawl_activity_return(activity, NULL, NULL) != PAWL_INVALID)
        return pawl_activity_fail(activity, 400, "the test fails", err.message);
    return PAWL_OK; /* as if it had not looked */
}

static pawl_code fails_with(pawl_activity *activity, const char *input, void *context)
{
    (void)input;
    fixture *f = context;
    return pawl_activity_fail_with(activity, f->failure);
}

static pawl_code fails_plainly_after_all(pawl_activity *activity, const char *input, void *context)
{
    (void)fails_with(activity, input, context);
    return pawl_activity_fail(activity, 503, "Busy", NULL);
}

TEST(activity, a_failure_says_whether_another_attempt_can_help_and_when)
{
    fixture *f = open_with(1);
    pawl_job_failure failure = { .struct_size = sizeof failure, .status = 409, .title = "Taken", .type = "urn:x:taken" };
    f->failure = &failure;
    pw_job *job = run(f, fails_with);
    EXPECT_INT(job->end, PW_JOB_FAILED);
    EXPECT_INT(job->retry, PW_RETRY_NO);
    expect_json(job->error, "{\"status\":409,\"title\":\"Taken\",\"type\":\"urn:x:taken\"}");
    failure.retryable = 1;
    failure.retry_after_ms = 5000;
    job = run(f, fails_with);
    EXPECT_INT(job->retry, PW_RETRY_YES);
    EXPECT_INT(job->retry_after_ms, 5000);
    failure.retry_after_ms = UINT64_MAX; /* as for a job: a day */
    EXPECT_INT(run(f, fails_with)->retry_after_ms, 86400000);
    failure.struct_size = offsetof(pawl_job_failure, retryable); /* of who knows less of it */
    job = run(f, fails_with);
    EXPECT_INT(job->retry, PW_RETRY_NO);
    EXPECT_INT(job->retry_after_ms, 0);
    job = run(f, fails_plainly_after_all); /* the last word holds */
    EXPECT_INT(job->retry, PW_RETRY_BY_CLASS);
    expect_json(job->error, "{\"status\":503,\"title\":\"Busy\"}");
    f->failure = NULL;
    job = run(f, fails_with);
    EXPECT_INT(job->retry, PW_RETRY_NO);
    expect_json(job->error, "{\"status\":500}");
    EXPECT_INT(pawl_activity_fail_with(NULL, NULL), PAWL_INVALID);
    close_all(f);
}

TEST(activity, a_result_that_is_no_json_is_a_failure_even_if_the_function_does_not_look)
{
    fixture *f = open_with(2);
    pw_job *job = run(f, returns_no_json);
    EXPECT_INT(job->end, PW_JOB_FAILED);
    EXPECT_INT(pw_number(pw_get_lit(job->error, "status")), 500);
    EXPECT_STR(pw_get_text(job->error, "title"), "invalid");
    EXPECT(pw_str_starts(pw_get_text(job->error, "detail"),
                         PW_LIT("result of an activity: JSON line 1")));
    close_all(f);
}

static pawl_code mends_its_result(pawl_activity *activity, const char *input, void *context)
{
    (void)input, (void)context;
    if (pawl_activity_return(activity, "{broken", NULL) == PAWL_OK)
        return PAWL_STATE;
    return pawl_activity_return(activity, "{\"mended\":true}", NULL);
}

TEST(activity, a_good_result_after_a_bad_one_holds)
{
    fixture *f = open_with(2);
    pw_job *job = run(f, mends_its_result);
    EXPECT_INT(job->end, PW_JOB_RETURNED);
    expect_json(job->result, "{\"mended\":true}");
    close_all(f);
}

/* ------------------------------------------------------------------ deadlines */

TEST(activity, past_its_deadline_a_job_has_timed_out_while_the_function_still_runs)
{
    fixture *f = open_with(2);
    pw_job *job = new_job(f, 1, waits);
    job->activity.deadline_ms = 20;
    pw_pool_submit(f->pool, job);
    wait_done(f, 1);
    EXPECT_INT(job->end, PW_JOB_TIMED_OUT);
    expect_json(job->error,
                "{\"status\":408,\"title\":\"timeout\",\"detail\":\"no result within 20 ms\"}");
    EXPECT_INT(f->ran, 0);
    open_gate(f, 1);
    wait_for(f, &f->ran, 1);
    pw_pool_free(f->pool); /* the function has returned: its result is dropped */
    f->pool = NULL;
    EXPECT_INT(f->count, 1);
    EXPECT_INT(job->end, PW_JOB_TIMED_OUT);
    EXPECT(pw_is(job->result, PW_NONE));
    close_all(f);
}

TEST(activity, a_receiver_may_release_the_job_before_the_late_function_returns)
{
    fixture *f = open_with(1);
    pw_job *job = new_job(f, 1, waits);
    job->activity.deadline_ms = 10;
    pw_pool_submit(f->pool, job);
    wait_done(f, 1);
    pw_job_release(f->done[0]);
    f->count = 0;
    open_gate(f, 1);
    wait_for(f, &f->ran, 1);
    close_all(f);
}

TEST(activity, the_function_learns_that_its_deadline_has_passed)
{
    fixture *f = open_with(1);
    f->follow = true;
    pw_job *job = new_job(f, 1, waits);
    job->activity.deadline_ms = 10;
    pw_pool_submit(f->pool, job);
    wait_done(f, 1); /* the callback wakes the function */
    wait_for(f, &f->ran, 1);
    EXPECT_INT(job->end, PW_JOB_TIMED_OUT);
    close_all(f);
}

TEST(activity, silence_longer_than_the_heartbeat_is_a_timeout)
{
    fixture *f = open_with(2);
    pw_job *job = new_job(f, 1, waits);
    job->activity.heartbeat_ms = 20;
    pw_pool_submit(f->pool, job);
    wait_done(f, 1);
    EXPECT_INT(job->end, PW_JOB_TIMED_OUT);
    expect_json(job->error,
                "{\"status\":408,\"title\":\"timeout\",\"detail\":\"no heartbeat for 20 ms\"}");
    open_gate(f, 1);
    close_all(f);
}

/* Beats until its heartbeat has passed once and a half. */
static pawl_code beats(pawl_activity *activity, const char *input, void *context)
{
    (void)input, (void)context;
    struct timespec start, now;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        if (pawl_activity_heartbeat(activity))
            return PAWL_TIMEOUT;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < 900);
    return pawl_activity_return(activity, "\"alive\"", NULL);
}

TEST(activity, a_function_that_beats_may_take_longer_than_its_heartbeat)
{
    fixture *f = open_with(2);
    pw_job *job = new_job(f, 1, beats);
    job->activity.heartbeat_ms = 600;
    pw_pool_submit(f->pool, job);
    wait_done(f, 1);
    EXPECT_INT(job->end, PW_JOB_RETURNED);
    expect_json(job->result, "\"alive\"");
    close_all(f);
}

TEST(activity, deadlines_come_in_their_own_order)
{
    static const uint64_t deadlines_ms[] = { 700, 100, 500, 300 };
    static const uint64_t visits[] = { 2, 4, 3, 1 };
    fixture *f = open_with(4);
    for (uint64_t i = 0; i < 4; i++) {
        pw_job *job = new_job(f, i + 1, waits);
        job->activity.deadline_ms = deadlines_ms[i];
        pw_pool_submit(f->pool, job);
    }
    wait_done(f, 4);
    for (unsigned i = 0; i < 4; i++)
        EXPECT_INT(f->done[i]->visit, visits[i]);
    open_gate(f, 4);
    close_all(f);
}

TEST(activity, stuck_functions_do_not_stop_the_others)
{
    fixture *f = open_with(2);
    for (uint64_t i = 0; i < 2; i++) {
        pw_job *job = new_job(f, i, waits);
        job->activity.deadline_ms = 10;
        pw_pool_submit(f->pool, job);
    }
    wait_done(f, 2);
    EXPECT_INT(f->ran, 0); /* both threads are stuck */
    for (uint64_t i = 2; i < 20; i++)
        pw_pool_submit(f->pool, new_job(f, i, returns_a_receipt));
    wait_done(f, 20);
    for (unsigned i = 2; i < 20; i++)
        EXPECT_INT(f->done[i]->end, PW_JOB_RETURNED);
    open_gate(f, 2);
    wait_for(f, &f->ran, 2);
    f->opened = 0;
    f->running_max = 0;
    for (uint64_t i = 20; i < 26;
         i++) /* the threads that took their place have gone, or these have */
        pw_pool_submit(f->pool, new_job(f, i, waits));
    wait_for(f, &f->running, 2);
    open_gate(f, 6);
    wait_done(f, 26);
    EXPECT_INT(f->running_max, 2);
    close_all(f);
}

TEST(activity, jobs_queued_behind_only_stuck_functions_run_when_one_returns)
{
    fixture *f = open_with(1);
    for (uint64_t i = 0; i < 2; i++) { /* the thread, and the one that takes its place */
        pw_job *job = new_job(f, i, waits);
        job->activity.deadline_ms = 10;
        pw_pool_submit(f->pool, job);
    }
    wait_done(f, 2);
    pw_pool_submit(f->pool, new_job(f, 2, returns_a_receipt));
    EXPECT_INT(f->count, 2);
    open_gate(f, 1);
    wait_done(f, 3);
    EXPECT_INT(f->done[2]->end, PW_JOB_RETURNED);
    open_gate(f, 1);
    close_all(f);
}

/* ------------------------------------------------------------------ so many at once */

static pw_job *limited_job(fixture *f, uint64_t visit, const char *name, uint32_t at_once)
{
    pw_job *job = new_job(f, visit, waits);
    job->activity.name = name;
    job->activity.at_once = at_once;
    return job;
}

TEST(activity, a_slow_function_with_a_limit_leaves_threads_to_others)
{
    fixture *f = open_with(4);
    for (uint64_t i = 0; i < 20; i++)
        pw_pool_submit(f->pool, limited_job(f, i, "slow", 2));
    wait_for(f, &f->waiting, 2);
    for (uint64_t i = 20; i < 30; i++)
        pw_pool_submit(f->pool, new_job(f, i, returns_a_receipt));
    wait_done(f, 10); /* behind twenty that came before, on the two threads that are left */
    for (unsigned i = 0; i < 10; i++)
        EXPECT_INT(f->done[i]->end, PW_JOB_RETURNED);
    EXPECT_INT(f->waiting, 2);
    open_gate(f, 20);
    wait_done(f, 30);
    EXPECT_INT(f->running_max, 2);
    EXPECT_INT(f->ran, 20);
    close_all(f);
}

TEST(activity, each_function_has_a_limit_of_its_own)
{
    fixture *f = open_with(8);
    for (uint64_t i = 0; i < 5; i++) {
        pw_pool_submit(f->pool, limited_job(f, i, "one", 1));
        pw_pool_submit(f->pool, limited_job(f, 100 + i, "three", 3));
    }
    wait_for(f, &f->waiting, 4);
    pw_pool_submit(f->pool, new_job(f, 200, returns_nothing)); /* whoever could begin has begun */
    wait_done(f, 1);
    EXPECT_INT(f->waiting, 4);
    open_gate(f, 10);
    wait_done(f, 11);
    EXPECT(f->running_max <= 4);
    close_all(f);
}

TEST(activity, a_stuck_function_keeps_its_place_until_it_returns)
{
    fixture *f = open_with(4);
    for (uint64_t i = 0; i < 2; i++) {
        pw_job *job = limited_job(f, i, "slow", 2);
        job->activity.deadline_ms = 10;
        pw_pool_submit(f->pool, job);
    }
    wait_done(f, 2);
    EXPECT_INT(f->done[0]->end, PW_JOB_TIMED_OUT);
    pw_pool_submit(f->pool, limited_job(f, 2, "slow", 2));
    pw_pool_submit(f->pool, new_job(f, 3, returns_nothing));
    wait_done(f, 3);
    EXPECT_INT(f->waiting, 2); /* the third has not begun */
    open_gate(f, 1);
    wait_for(f, &f->waiting, 3);
    open_gate(f, 2);
    wait_done(f, 4);
    EXPECT_INT(f->done[3]->end, PW_JOB_RETURNED);
    wait_for(f, &f->ran, 3);
    close_all(f);
}

TEST(activity, what_a_limit_holds_is_cancelled_and_never_runs)
{
    fixture *f = open_with(2);
    for (uint64_t i = 1; i <= 3; i++)
        pw_pool_submit(f->pool, limited_job(f, i, "slow", 1));
    wait_for(f, &f->waiting, 1);
    pw_pool_cancel(f->pool, PW_LIT("order-1"), 2);
    wait_done(f, 1);
    EXPECT_INT(f->done[0]->visit, 2);
    EXPECT_INT(f->done[0]->end, PW_JOB_CANCELLED);
    open_gate(f, 2);
    wait_done(f, 3);
    EXPECT_INT(f->ran, 2);
    close_all(f);
}

TEST(activity, free_cancels_what_a_limit_holds)
{
    fixture *f = open_with(2);
    f->follow = true;
    for (uint64_t i = 1; i <= 50; i++)
        pw_pool_submit(f->pool, limited_job(f, i, "slow", 1));
    wait_for(f, &f->waiting, 1);
    open_gate(f, 1);
    pw_pool_free(f->pool);
    f->pool = NULL;
    EXPECT_INT(f->count, 50);
    EXPECT(f->ran < 50);
    close_all(f);
}

/* ------------------------------------------------------------------ cancel */

TEST(activity, a_queued_job_is_cancelled_and_never_runs)
{
    fixture *f = open_with(1);
    pw_pool_submit(f->pool, new_job(f, 1, waits));
    wait_for(f, &f->waiting, 1);
    pw_pool_submit(f->pool, new_job(f, 2, waits));
    pw_pool_submit(f->pool, new_job(f, 3, returns_a_receipt));
    pw_pool_cancel(f->pool, PW_LIT("order-1"), 2);
    pw_pool_cancel(f->pool, PW_LIT("order-1"), 2);
    wait_done(f, 1);
    EXPECT_INT(f->done[0]->visit, 2);
    EXPECT_INT(f->done[0]->end, PW_JOB_CANCELLED);
    open_gate(f, 1);
    wait_done(f, 3);
    EXPECT_INT(f->waiting, 1);
    EXPECT_INT(f->done[2]->end, PW_JOB_RETURNED);
    close_all(f);
}

TEST(activity, a_running_job_is_told_and_ends_as_cancelled_when_it_returns)
{
    fixture *f = open_with(1);
    pw_pool_submit(f->pool, new_job(f, 1, waits));
    wait_for(f, &f->waiting, 1);
    pw_pool_cancel(f->pool, PW_LIT("order-2"), 1);
    pw_pool_cancel(f->pool, PW_LIT("order-1"), 1);
    (void)pthread_mutex_lock(&f->lock);
    f->follow = true; /* now it looks at its flag, which is set */
    (void)pthread_cond_broadcast(&f->changed);
    (void)pthread_mutex_unlock(&f->lock);
    wait_done(f, 1);
    EXPECT_INT(f->ran, 1);
    EXPECT_INT(f->done[0]->end, PW_JOB_CANCELLED);
    EXPECT(pw_is(f->done[0]->result, PW_NONE));
    close_all(f);
}

static pawl_code is_cancelled_and_waits(pawl_activity *activity, const char *input, void *context)
{
    fixture *f = context;
    pw_pool_cancel(f->pool, PW_LIT("order-1"), 1);
    return waits(activity, input, context);
}

TEST(activity, a_cancelled_function_that_does_not_listen_ends_at_its_deadline)
{
    fixture *f = open_with(1);
    pw_job *job = new_job(f, 1, is_cancelled_and_waits);
    job->activity.deadline_ms = 200;
    pw_pool_submit(f->pool, job);
    wait_done(f, 1);
    EXPECT_INT(job->end, PW_JOB_CANCELLED);
    EXPECT_INT(f->ran, 0);
    open_gate(f, 1);
    close_all(f);
}

TEST(activity, a_cancel_of_what_is_not_there_changes_nothing)
{
    fixture *f = open_with(1);
    pw_pool_cancel(f->pool, PW_LIT("order-1"), 1);
    EXPECT_INT(run(f, returns_a_receipt)->end, PW_JOB_RETURNED);
    pw_pool_cancel(f->pool, PW_LIT("order-1"), 1);
    EXPECT_INT(f->count, 1);
    close_all(f);
}

/* ------------------------------------------------------------------ many, and the end */

static pawl_code counts(pawl_activity *activity, const char *input, void *context)
{
    (void)input;
    fixture *f = context;
    (void)pthread_mutex_lock(&f->lock);
    if (++f->running > f->running_max)
        f->running_max = f->running;
    f->running--;
    f->ran++;
    (void)pthread_mutex_unlock(&f->lock);
    return pawl_activity_return(activity, "true", NULL);
}

TEST(activity, a_thousand_jobs_on_four_threads_come_back_once_each)
{
    fixture *f = open_with(4);
    for (uint64_t i = 0; i < 1000; i++)
        pw_pool_submit(f->pool, new_job(f, i, counts));
    wait_done(f, 1000);
    bool seen[1000] = { false };
    for (unsigned i = 0; i < 1000; i++) {
        EXPECT_INT(f->done[i]->end, PW_JOB_RETURNED);
        EXPECT(!seen[f->done[i]->visit]);
        seen[f->done[i]->visit] = true;
    }
    EXPECT_INT(f->ran, 1000);
    EXPECT(f->running_max <= 4);
    close_all(f);
}

TEST(activity, no_more_functions_run_at_once_than_there_are_threads)
{
    fixture *f = open_with(3);
    for (uint64_t i = 0; i < 12; i++)
        pw_pool_submit(f->pool, new_job(f, i, waits));
    wait_for(f, &f->running, 3);
    open_gate(f, 12);
    wait_done(f, 12);
    EXPECT_INT(f->running_max, 3);
    close_all(f);
}

TEST(activity, one_thread_runs_jobs_in_the_order_of_submission)
{
    fixture *f = open_with(1);
    for (uint64_t i = 0; i < 50; i++)
        pw_pool_submit(f->pool, new_job(f, i, counts));
    wait_done(f, 50);
    for (unsigned i = 0; i < 50; i++)
        EXPECT_INT(f->done[i]->visit, i);
    close_all(f);
}

TEST(activity, cancels_race_with_ends_and_every_job_comes_back_once)
{
    fixture *f = open_with(4);
    for (uint64_t i = 0; i < 1000; i++) {
        pw_pool_submit(f->pool, new_job(f, i, counts));
        if (i % 2 == 0)
            pw_pool_cancel(f->pool, PW_LIT("order-1"), i);
        if (i >= 10 && i % 5 == 0)
            pw_pool_cancel(f->pool, PW_LIT("order-1"), i - 10);
    }
    wait_done(f, 1000);
    unsigned returned = 0;
    for (unsigned i = 0; i < 1000; i++) {
        returned += f->done[i]->end == PW_JOB_RETURNED;
        EXPECT(f->done[i]->end == PW_JOB_RETURNED || f->done[i]->end == PW_JOB_CANCELLED);
    }
    EXPECT(returned >= 400);
    close_all(f);
}

TEST(activity, deadlines_race_with_ends_and_every_job_comes_back_once)
{
    fixture *f = open_with(4);
    for (uint64_t i = 0; i < 300; i++) {
        pw_job *job = new_job(f, i, beats);
        job->activity.run = i % 2 ? counts : waits;
        job->activity.deadline_ms = 1 + i % 3;
        pw_pool_submit(f->pool, job);
        open_gate(f, i % 2 ? 0 : 1);
    }
    wait_done(f, 300);
    pw_pool_free(f->pool);
    f->pool = NULL;
    EXPECT_INT(f->count, 300);
    EXPECT_INT(f->ran, 300);
    for (unsigned i = 0; i < 300; i++)
        EXPECT(f->done[i]->end == PW_JOB_RETURNED || f->done[i]->end == PW_JOB_TIMED_OUT);
    close_all(f);
}

TEST(activity, free_cancels_what_is_queued_and_waits_for_what_runs)
{
    fixture *f = open_with(2);
    f->follow = true;
    for (uint64_t i = 0; i < 2; i++)
        pw_pool_submit(f->pool, new_job(f, i, waits));
    wait_for(f, &f->waiting, 2);
    for (uint64_t i = 2; i < 30; i++)
        pw_pool_submit(f->pool, new_job(f, i, waits));
    pw_pool_free(
        f->pool); /* each callback of a queued job wakes the functions, which see their flags */
    f->pool = NULL;
    EXPECT_INT(f->count, 30);
    EXPECT_INT(f->waiting, 2);
    EXPECT_INT(f->ran, 2);
    for (unsigned i = 0; i < 30; i++)
        EXPECT_INT(f->done[i]->end, PW_JOB_CANCELLED);
    close_all(f);
}

static void submit_another(void *context, pw_job *job)
{
    fixture *f = context;
    if (job->visit < 3)
        pw_pool_submit(f->pool, new_job(f, job->visit + 1, returns_a_receipt));
    on_done(context, job);
}

TEST(activity, a_callback_may_submit_the_next_job_even_while_the_pool_ends)
{
    pawl_error err;
    fixture *f = open_with(1);
    pw_pool_free(f->pool);
    EXPECT_OK(pw_pool_new(&f->pool, NULL, submit_another, f, &err), err);
    pw_pool_submit(f->pool, new_job(f, 0, returns_a_receipt));
    wait_done(f, 4);
    pw_pool_submit(f->pool, new_job(f, 0, returns_a_receipt));
    pw_pool_free(f->pool);
    f->pool = NULL;
    EXPECT_INT(f->count, 8);
    close_all(f);
}

TEST(activity, too_many_threads_are_refused)
{
    pawl_error err;
    pw_pool *pool = NULL;
    EXPECT_INT(pw_pool_new(&pool, &(pw_pool_options){ .threads = 1025 }, on_done, NULL, &err),
               PAWL_INVALID);
    EXPECT_TEXT(err.message, "activity threads must be 1 to 1024, not 1025");
    EXPECT(pool == NULL);
    pw_pool_free(NULL);
    pw_job_release(NULL);
}

TEST(activity, running_out_of_memory_is_an_error_or_a_failed_job_never_a_lost_one)
{
    unsigned returned = 0;
    for (uint64_t nth = 1; nth < 20; nth++) {
        fixture *f = open_with(1);
        pw_pool_free(f->pool);
        f->pool = NULL;
        pawl_error err;
        pw_alloc_fail_after(nth);
        pawl_code code = pw_pool_new(&f->pool, NULL, on_done, f, &err);
        pw_job *job = code == PAWL_OK ? pw_job_new() : NULL;
        if (job) {
            job->instance = PW_LIT("order-1");
            job->activity.run = returns_a_receipt;
            pw_pool_submit(f->pool, job);
            wait_done(f, 1);
        }
        pw_alloc_fail_after(0);
        if (job && job->end == PW_JOB_RETURNED)
            returned++;
        else if (job)
            EXPECT_INT(job->end, PW_JOB_FAILED);
        else if (code != PAWL_OK)
            EXPECT_INT(code, PAWL_NO_MEMORY);
        if (job && job->end == PW_JOB_FAILED)
            EXPECT_STR(pw_get_text(job->error, "title"), "no-memory");
        close_all(f);
    }
    EXPECT(returned > 0 && returned < 19);
}

TEST_MAIN()
