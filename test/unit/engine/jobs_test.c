/* jobs_test.c - jobs for workers: handed out, answered, lost, limited; over restarts; two nodes. */
#include <limits.h>
#include "fixture.h"
#include "http/service.h"

static const char packing[] = "  - pack: {call: pack, with: {box: 1}}";

static char *poll_with(fixture *f, pawl_poll_options options)
{
    const char *const functions[] = { "pack" };
    options.struct_size = sizeof options;
    if (!options.functions) {
        options.functions = functions;
        options.function_count = 1;
    }
    char *text = NULL;
    EXPECT_OK(pawl_jobs_poll(f->p, &options, &text, &f->err), f->err);
    return text;
}

/* The one job there is, which may take a while to come. */
static char *one_job(fixture *f, uint64_t lease_ms)
{
    char *text = poll_with(
        f, (pawl_poll_options){ .wait_ms = WAIT_MS, .lease_ms = lease_ms, .worker = "w1" });
    EXPECT_ASK(text, ".jobs | length", "1");
    return text;
}

static void token_of(char out[128], const char *jobs)
{
    (void)snprintf(out, 128, "%s", ask(jobs, ".jobs[0].token"));
    size_t length = strlen(out);
    memmove(out, out + 1, length - 2); /* without the quotes */
    out[length - 2] = '\0';
}

static void complete(fixture *f, const char *token, const char *result, const char *expected)
{
    char *text = NULL;
    EXPECT_OK(pawl_job_complete(f->p, token, result, NULL, &text, &f->err), f->err);
    EXPECT_TEXT(text, expected);
    pawl_free(text);
}

TEST(jobs, a_job_is_handed_out_and_its_result_goes_on)
{
    fixture f;
    char token[128];
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "packing", packing);
    char *id = start(&f, "packing", NULL);
    char *jobs = one_job(&f, 0);
    EXPECT_ASK(jobs,
               "[.jobs[0] | .function, .namespace, .name, .task, .attempt, .priority, .input]",
               "[\"pack\",\"test\",\"packing\",\"/do/0/pack\",1,0,{\"box\":1}]");
    EXPECT_ASK(
        jobs,
        ".jobs[0] | [(.idempotencyKey | length), (.leaseUntil < .deadline), has(\"lastError\")]",
        "[26,true,false]");
    token_of(token, jobs);
    char *text = show(&f, id);
    EXPECT_ASK(text, "[.waits[] | [.kind, .function, .job, .worker, has(\"reason\")]]",
               "[[\"activity\",\"pack\",\"leased\",\"w1\",false]]");
    pawl_free(text);
    complete(&f, token, "{\"packed\":true}", "{\"repeated\":false}");
    text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output]", "[\"completed\",{\"packed\":true}]");
    complete(&f, token, "{\"packed\":true}", "{\"repeated\":true}");
    EXPECT_INT(pawl_job_complete(f.p, token, "{\"packed\":false}", NULL, NULL, &f.err), PAWL_LOST);
    EXPECT_INT(f.err.reason, PAWL_REASON_JOB_OVER);
    pawl_free(text);
    pawl_free(jobs);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ who has the last word */

static pawl_code try_complete(fixture *f, const char *token, const char *result)
{
    return pawl_job_complete(f->p, token, result, NULL, NULL, &f->err);
}

TEST(jobs, the_answer_and_who_gave_it_are_in_the_log)
{
    fixture f;
    char token[128];
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "packing", packing);
    char *id = start(&f, "packing", NULL);
    char *jobs = one_job(&f, 0);
    token_of(token, jobs);
    const pawl_request request = { .struct_size = sizeof request, .actor = "worker-7" };
    EXPECT_OK(pawl_job_complete(f.p, token, "1", &request, NULL, &f.err), f.err);
    char *text = steps(&f, id);
    EXPECT_ASK(text,
               ".steps[1] | [.event, .actor, (.entries[0] | [.type, .task, .attempt, (.digest | "
               "length)])]",
               "[\"activity-result\",\"worker-7\",[\"job.answered\",\"/do/0/pack\",1,26]]");
    EXPECT_ASK(text, ".steps | length", "2"); /* the start, and the result: none of the hand-out */
    pawl_free(text);
    pawl_free(jobs);
    pawl_free(id);
    fixture_done(&f);
}

TEST(jobs, a_failure_is_the_workflows_unless_it_may_be_tried_again)
{
    fixture f;
    char token[128];
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "packing", packing);
    char *id = start(&f, "packing", NULL);
    char *jobs = one_job(&f, 0);
    token_of(token, jobs);
    const pawl_job_failure failure = { .struct_size = sizeof failure,
                                       .status = 422,
                                       .title = "no box fits",
                                       .type = "https://example.com/too-large" };
    char *told = NULL;
    EXPECT_OK(pawl_job_fail(f.p, token, &failure, NULL, &told, &f.err), f.err);
    EXPECT_TEXT(told, "{\"repeated\":false}");
    pawl_free(told);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .error.status, .error.title, .error.type]",
               "[\"faulted\",422,\"no box fits\",\"https://example.com/too-large\"]");
    EXPECT_OK(pawl_job_fail(f.p, token, &failure, NULL, &told, &f.err), f.err);
    EXPECT_TEXT(told, "{\"repeated\":true}");
    EXPECT_INT(try_complete(&f, token, "1"), PAWL_LOST);
    pawl_free(told);
    pawl_free(text);
    pawl_free(jobs);
    pawl_free(id);
    fixture_done(&f);
}

TEST(jobs, a_failure_that_may_be_tried_again_gives_another_attempt_with_the_same_key)
{
    fixture f;
    char token[128], again[128], key[64];
    fixture_init(&f, NULL);
    pawl_resilience thrice = test_retries(3);
    f.options.resilience = &thrice;
    fixture_open(&f);
    deploy(&f, "packing", packing);
    char *id = start(&f, "packing", NULL);
    char *jobs = one_job(&f, 0);
    token_of(token, jobs);
    (void)snprintf(key, sizeof key, "%s", ask(jobs, ".jobs[0].idempotencyKey"));
    const pawl_job_failure failure = { .struct_size = sizeof failure,
                                       .status = 503,
                                       .title = "busy",
                                       .retryable = 1,
                                       .retry_after_ms = 1 };
    EXPECT_OK(pawl_job_fail(f.p, token, &failure, NULL, NULL, &f.err), f.err);
    pawl_free(jobs);
    jobs = one_job(&f, 0);
    EXPECT_ASK(jobs, ".jobs[0] | [.attempt, .lastError.status, .lastError.title]",
               "[2,503,\"busy\"]");
    EXPECT_TEXT(ask(jobs, ".jobs[0].idempotencyKey"), key);
    token_of(again, jobs);
    EXPECT_INT(try_complete(&f, token, "\"late\""), PAWL_LOST); /* of the first attempt */
    EXPECT_INT(f.err.reason, PAWL_REASON_JOB_OVER);
    complete(&f, again, "\"good\"", "{\"repeated\":false}");
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output]", "[\"completed\",\"good\"]");
    pawl_free(text);
    text = steps(&f, id);
    EXPECT_ASK(text,
               "[.steps[].entries[].type | select(startswith(\"attempt\") or startswith(\"job\"))]",
               "[\"job.answered\",\"attempt.failed\",\"attempt.started\",\"job.answered\"]");
    pawl_free(text);
    pawl_free(jobs);
    pawl_free(id);
    fixture_done(&f);
}

TEST(jobs, the_next_attempt_waits_as_long_as_the_worker_says)
{
    fixture f;
    char token[128];
    fixture_init(&f, "memory:");
    pawl_resilience thrice = test_retries(3);
    f.options.resilience = &thrice;
    fixture_open(&f);
    deploy(&f, "packing", packing);
    char *id = start(&f, "packing", NULL);
    char *jobs = one_job(&f, 0);
    token_of(token, jobs);
    const pawl_job_failure failure = { .struct_size = sizeof failure,
                                       .retryable = 1,
                                       .retry_after_ms = 3600000 };
    EXPECT_OK(pawl_job_fail(f.p, token, &failure, NULL, NULL, &f.err), f.err);
    char *text = poll_with(&f, (pawl_poll_options){ .max = 5 });
    EXPECT_TEXT(text, "{\"jobs\":[]}");
    pawl_free(text);
    text = show(&f, id);
    EXPECT_ASK(text, "[.waits[] | [.kind, .job, .attempt, has(\"dueAt\")]]", "[[\"activity\",\"delayed\",2,true]]");
    pawl_free(text);
    EXPECT_OK(pawl_jobs(f.p, NULL, &text, &f.err), f.err); /* it holds no place on the board */
    EXPECT_ASK(text, "[.jobs, [.functions[] | [.ready, .leased]]]", "[[],[]]");
    pawl_free(text);
    pawl_free(jobs);
    pawl_free(id);
    fixture_done(&f);
}

TEST(jobs, a_job_that_kills_its_workers_ends_as_an_incident)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "packing", packing);
    char *id = start(&f, "packing", NULL);
    char tokens[4][128];
    for (int i = 0; i < 4; i++) { /* who takes it is never heard of again */
        char expected[8];
        char *jobs = one_job(&f, 100);
        (void)snprintf(expected, sizeof expected, "%d", i + 1);
        EXPECT_ASK(jobs, ".jobs[0].attempt", expected);
        token_of(tokens[i], jobs);
        pawl_free(jobs);
    }
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .error.status, .error.title]",
               "[\"faulted\",500,\"the activity was lost too often\"]");
    pawl_free(text);
    for (int i = 0; i < 4; i++)
        EXPECT_INT(try_complete(&f, tokens[i], "1"), PAWL_LOST);
    text = steps(&f, id);
    EXPECT_ASK(text, "[.steps[].entries[] | select(.type == \"attempt.lost\") | .attempt]",
               "[1,2,3,4]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

TEST(jobs, an_attempt_that_takes_too_long_fails_with_a_timeout)
{
    fixture f;
    char token[128];
    fixture_init(&f, NULL);
    f.options.activity_timeout_ms = 150;
    fixture_open(&f);
    deploy(&f, "packing", packing);
    char *id = start(&f, "packing", NULL);
    char *jobs = one_job(&f, 60000);
    token_of(token, jobs);
    EXPECT_ASK(jobs, ".jobs[0] | .leaseUntil == .deadline", "true");
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .error.status, (.error.type | endswith(\"timeout\"))]",
               "[\"faulted\",408,true]");
    EXPECT_INT(try_complete(&f, token, "1"), PAWL_LOST);
    char *beat = NULL;
    EXPECT_OK(pawl_job_heartbeat(f.p, token, 0, NULL, &beat, &f.err), f.err);
    EXPECT_TEXT(beat, "{\"cancelled\":true}");
    pawl_free(beat);
    pawl_free(text);
    pawl_free(jobs);
    pawl_free(id);
    fixture_done(&f);
}

TEST(jobs, a_heartbeat_keeps_the_lease_and_shows_how_far_it_is)
{
    fixture f;
    char token[128];
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "packing", packing);
    char *id = start(&f, "packing", NULL);
    char *jobs = one_job(&f, 20000);
    token_of(token, jobs);
    char *beat = NULL;
    EXPECT_OK(pawl_job_heartbeat(f.p, token, 60000, "{\"done\":\"half\"}", &beat, &f.err), f.err);
    EXPECT_ASK(beat, ".cancelled", "false");
    pawl_free(beat);
    char *text = show(&f, id);
    EXPECT_ASK(text, "[.waits[] | [.job, .worker, .progress.done]]",
               "[[\"leased\",\"w1\",\"half\"]]");
    pawl_free(text);
    char *list = NULL;
    const pawl_jobs_options options = { .struct_size = sizeof options, .function = "pack" };
    EXPECT_OK(pawl_jobs(f.p, &options, &list, &f.err), f.err);
    EXPECT_ASK(list, ".functions",
               "[{\"function\":\"pack\",\"ready\":0,\"leased\":1,\"unsure\":0,"
               "\"parked\":0,\"polls\":0}]");
    EXPECT_ASK(list,
               "[.jobs[] | [.function, .namespace, .task, .attempt, .priority, .state, .worker, "
               ".progress]]",
               "[[\"pack\",\"test\",\"/do/0/pack\",1,0,\"leased\",\"w1\",{\"done\":\"half\"}]]");
    EXPECT_INT(pawl_job_heartbeat(f.p, token, 99, NULL, NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_job_heartbeat(f.p, token, 0, "{", NULL, &f.err), PAWL_INVALID);
    pawl_free(list);
    pawl_free(jobs);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ instances change their mind */

TEST(jobs, a_cancelled_instance_takes_its_jobs_back_and_heartbeats_learn_of_it)
{
    fixture f;
    char token[128];
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "packing", packing);
    char *id = start(&f, "packing", NULL), *other = start(&f, "packing", NULL);
    char *jobs = one_job(&f, 0);
    token_of(token, jobs);
    EXPECT_OK(pawl_cancel(f.p, id, NULL, NULL, &f.err), f.err);
    EXPECT_OK(pawl_cancel(f.p, other, NULL, NULL, &f.err), f.err);
    char *text = NULL;
    EXPECT_OK(pawl_job_heartbeat(f.p, token, 0, NULL, &text, &f.err), f.err);
    EXPECT_TEXT(text, "{\"cancelled\":true}");
    pawl_free(text);
    EXPECT_INT(try_complete(&f, token, "1"), PAWL_LOST);
    text = poll_with(&f, (pawl_poll_options){ .max = 1 });
    EXPECT_TEXT(text, "{\"jobs\":[]}"); /* the other was never handed out, and is gone */
    pawl_free(text);
    EXPECT_OK(pawl_jobs(f.p, NULL, &text, &f.err), f.err);
    EXPECT_ASK(text, "[(.functions | length), (.jobs | length)]", "[0,0]");
    pawl_free(text);
    text = steps(&f, id);
    EXPECT_ASK(text, ".steps | length", "2"); /* what came late left no trace */
    pawl_free(text);
    pawl_free(jobs);
    pawl_free(other);
    pawl_free(id);
    fixture_done(&f);
}

TEST(jobs, a_task_whose_time_is_up_takes_its_job_back)
{
    fixture f;
    char token[128];
    fixture_init(&f, NULL);
    fixture_clock(&f, 1800000000000);
    fixture_open(&f);
    deploy(&f, "hurry", "  - pack: {call: pack, with: {}, timeout: {after: PT10S}}");
    char *id = start(&f, "hurry", NULL);
    char *jobs = one_job(&f, 0);
    token_of(token, jobs);
    EXPECT_ASK(jobs, ".jobs[0].deadline | startswith(\"2027-01-15T08:00:\")", "true");
    fixture_clock(&f, 1800000010000);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .error.status]", "[\"faulted\",408]");
    pawl_free(text);
    EXPECT_INT(try_complete(&f, token, "1"), PAWL_LOST);
    EXPECT_OK(pawl_job_heartbeat(f.p, token, 0, NULL, &text, &f.err), f.err);
    EXPECT_TEXT(text, "{\"cancelled\":true}");
    pawl_free(text);
    pawl_free(jobs);
    pawl_free(id);
    fixture_done(&f);
}

TEST(jobs, a_suspended_instance_hands_nothing_out_and_takes_results)
{
    fixture f;
    char token[128];
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "two",
           "  - all: {fork: {branches: [{a: {call: pack, with: {n: 1}}}, {b: {call: pack, with: "
           "{n: 2}}}]}}");
    char *id = start(&f, "two", NULL);
    char *jobs = one_job(&f, 0);
    token_of(token, jobs);
    EXPECT_OK(pawl_suspend(f.p, id, NULL, NULL, &f.err), f.err);
    char *text = poll_with(&f, (pawl_poll_options){ .wait_ms = 10 });
    EXPECT_TEXT(text, "{\"jobs\":[]}");
    pawl_free(text);
    EXPECT_OK(pawl_jobs(f.p, NULL, &text, &f.err), f.err);
    EXPECT_ASK(text, ".functions[0] | [.leased, .parked]", "[1,1]");
    pawl_free(text);
    complete(&f, token, "1", "{\"repeated\":false}");
    EXPECT_OK(pawl_continue(f.p, id, NULL, NULL, &f.err), f.err);
    pawl_free(jobs);
    jobs = one_job(&f, 0);
    EXPECT_ASK(jobs, ".jobs[0].attempt", "1"); /* it was never handed out */
    token_of(token, jobs);
    complete(&f, token, "2", "{\"repeated\":false}");
    text = finish(&f, id);
    EXPECT_ASK(text, "[.status, (.output | sort)]", "[\"completed\",[1,2]]");
    pawl_free(text);
    pawl_free(jobs);
    pawl_free(id);
    fixture_done(&f);
}

TEST(jobs, what_is_lost_while_it_is_suspended_goes_on_with_the_next_attempt)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "packing", packing);
    char *id = start(&f, "packing", NULL);
    char *jobs = one_job(&f, 100);
    pawl_free(jobs);
    EXPECT_OK(pawl_suspend(f.p, id, NULL, NULL, &f.err), f.err);
    char *text = NULL;
    do { /* until the lease is over, and that is committed */
        pawl_free(text);
        text = show(&f, id);
    } while (strcmp(ask(text, ".token"), "2") == 0);
    EXPECT_OK(pawl_continue(f.p, id, NULL, NULL, &f.err), f.err);
    jobs = one_job(&f, 0);
    EXPECT_ASK(jobs, ".jobs[0].attempt", "2");
    pawl_free(text);
    pawl_free(jobs);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ restarts */

TEST(jobs, restarts_without_workers_cost_no_attempts)
{
    fixture f;
    char token[128];
    fixture_init(&f, NULL);
    f.options.job_lease_ms = 100;
    fixture_open(&f);
    deploy(&f, "packing", packing);
    char *id = start(&f, "packing", NULL);
    for (int i = 0; i < 5; i++) {
        fixture_close(&f);
        fixture_open(&f);
        EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    }
    char *text = show(&f, id);
    EXPECT_ASK(text, "[.token, (.waits[] | [.job, .attempt, .reason])]",
               "[1,[\"unsure\",1,\"no worker polls for 'pack'\"]]");
    char *jobs = one_job(&f, 60000); /* the loss of what may be in other hands is committed first */
    EXPECT_ASK(jobs, ".jobs[0].attempt", "2");
    token_of(token, jobs);
    complete(&f, token, "1", "{\"repeated\":false}");
    pawl_free(text);
    text = steps(&f, id);
    EXPECT_ASK(text, "[.steps[].event]", "[\"start\",\"activity-lost\",\"activity-result\"]");
    pawl_free(text);
    pawl_free(jobs);
    pawl_free(id);
    fixture_done(&f);
}

TEST(jobs, a_worker_outlives_the_engine)
{
    fixture f;
    char token[128];
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "packing", packing);
    char *id = start(&f, "packing", NULL), *other = start(&f, "packing", NULL);
    char *first = one_job(&f, 0), *second = one_job(&f, 0);
    fixture_close(&f);
    fixture_open(&f);
    char *text = NULL;
    token_of(token, first); /* at once: it may not even be read yet */
    EXPECT_OK(pawl_job_heartbeat(f.p, token, 0, NULL, &text, &f.err), f.err);
    EXPECT_ASK(text, ".cancelled", "false");
    pawl_free(text);
    complete(&f, token, "1", "{\"repeated\":false}");
    token_of(token, second); /* without a heartbeat */
    complete(&f, token, "2", "{\"repeated\":false}");
    fixture_close(&f);
    fixture_open(&f);
    complete(&f, token, "2", "{\"repeated\":true}"); /* the answer was lost with the engine */
    EXPECT_INT(try_complete(&f, token, "3"), PAWL_LOST);
    text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output]", "[\"completed\",1]");
    pawl_free(text);
    text = finish(&f, other);
    EXPECT_ASK(text, "[.status, .output]", "[\"completed\",2]");
    pawl_free(text);
    pawl_free(first);
    pawl_free(second);
    pawl_free(other);
    pawl_free(id);
    fixture_done(&f);
}

TEST(jobs, a_function_registered_later_takes_what_no_worker_has)
{
    fixture f;
    char token[128];
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "packing", packing);
    char *id = start(&f, "packing", NULL);
    char *jobs = one_job(&f, 0);
    token_of(token, jobs);
    char *waiting = start(&f, "packing", NULL);
    pawl_activity_options options = f.activities[1]; /* echo */
    options.name = "pack";
    EXPECT_OK(pawl_register(f.p, &options, &f.err), f.err);
    char *text = finish(&f, waiting);
    EXPECT_ASK(text, "[.status, .output]", "[\"completed\",{\"box\":1}]");
    pawl_free(text);
    complete(&f, token, "9", "{\"repeated\":false}"); /* who had it before keeps it */
    text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output]", "[\"completed\",9]");
    pawl_free(text);
    pawl_free(jobs);
    pawl_free(waiting);
    pawl_free(id);
    fixture_done(&f);
}

/* Of a job that is over the engine has to read the instance: who asks is told that there is no memory for it, and does not
 * wait for memory to come back. */
TEST(jobs, a_heartbeat_does_not_wait_for_memory)
{
    fixture f;
    char token[128];
    unsigned refused = 0;
    bool whole = false;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "packing", packing);
    char *id = start(&f, "packing", NULL);
    char *jobs = one_job(&f, 0);
    token_of(token, jobs);
    complete(&f, token, "1", "{\"repeated\":false}");
    for (unsigned nth = 1; !whole; nth++) {
        char *text = NULL;
        uint64_t before = pw_alloc_count();
        pw_alloc_fail_after(nth);
        pawl_code code = pawl_job_heartbeat(f.p, token, 0, NULL, &text, &f.err);
        whole = pw_alloc_count() - before < nth;
        pw_alloc_fail_after(0);
        EXPECT(code == PAWL_NO_MEMORY || code == PAWL_OK);
        if (code == PAWL_OK)
            EXPECT_TEXT(text, "{\"cancelled\":true}");
        else
            EXPECT(text == NULL && f.err.code == PAWL_NO_MEMORY);
        refused += code != PAWL_OK;
        pawl_free(text);
        EXPECT(nth < 1000);
    }
    EXPECT(refused > 3);
    pawl_free(jobs);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ tokens and bad input */

TEST(jobs, only_a_token_of_this_store_is_one)
{
    fixture f;
    char token[128], bad[160];
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "packing", packing);
    char *id = start(&f, "packing", NULL);
    char *jobs = one_job(&f, 0);
    token_of(token, jobs);
    EXPECT(strncmp(token, id, 26) == 0);
    for (size_t i = 0; i < strlen(token); i++) { /* not one letter of it can be another */
        (void)snprintf(bad, sizeof bad, "%s", token);
        bad[i] = bad[i] == '2' ? '3' : '2';
        EXPECT_INT(try_complete(&f, bad, "1"), PAWL_INVALID);
        EXPECT_INT(f.err.reason, PAWL_REASON_BAD_TOKEN);
    }
    static const char *const others[] = { "", ".", "x", "01aryz6s41zzzzzzzzzzzzzzzz.1.1.", NULL };
    for (size_t i = 0; i < PW_LENGTH(others); i++)
        EXPECT_INT(try_complete(&f, others[i], "1"), PAWL_INVALID);
    (void)snprintf(bad, sizeof bad, "%sx", token);
    EXPECT_INT(pawl_job_heartbeat(f.p, bad, 0, NULL, NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(try_complete(&f, token, "{"), PAWL_INVALID);
    complete(&f, token, NULL, "{\"repeated\":false}");
    complete(&f, token, "null", "{\"repeated\":true}");
    fixture other;
    fixture_init(&other, "memory:");
    fixture_open(&other);
    EXPECT_INT(try_complete(&other, token, "1"), PAWL_INVALID);
    fixture_done(&other);
    pawl_free(jobs);
    pawl_free(id);
    fixture_done(&f);
}

TEST(jobs, bad_polls_failures_and_limits_are_refused)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    const char *const one[] = { "pack" }, *const empty[] = { "" };
    const char *many[101];
    for (size_t i = 0; i < PW_LENGTH(many); i++)
        many[i] = "pack";
    const pawl_poll_options polls[] = {
        { .struct_size = sizeof(pawl_poll_options) },
        { .struct_size = 0, .functions = one, .function_count = 1 },
        { .struct_size = sizeof(pawl_poll_options), .functions = empty, .function_count = 1 },
        { .struct_size = sizeof(pawl_poll_options), .functions = many, .function_count = 101 },
        { .struct_size = sizeof(pawl_poll_options),
          .functions = one,
          .function_count = 1,
          .max = 101 },
        { .struct_size = sizeof(pawl_poll_options),
          .functions = one,
          .function_count = 1,
          .wait_ms = 300001 },
        { .struct_size = sizeof(pawl_poll_options),
          .functions = one,
          .function_count = 1,
          .lease_ms = 99 },
        { .struct_size = sizeof(pawl_poll_options),
          .functions = one,
          .function_count = 1,
          .lease_ms = 3600001 },
        { .struct_size = sizeof(pawl_poll_options),
          .functions = one,
          .function_count = 1,
          .namespaces = "{}" },
        { .struct_size = sizeof(pawl_poll_options),
          .functions = one,
          .function_count = 1,
          .namespaces = "[1]" },
        { .struct_size = sizeof(pawl_poll_options),
          .functions = one,
          .function_count = 1,
          .worker = "" },
    };
    char *text = NULL;
    for (size_t i = 0; i < PW_LENGTH(polls); i++)
        EXPECT_INT(pawl_jobs_poll(f.p, &polls[i], &text, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_jobs_poll(f.p, NULL, &text, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_jobs_poll(f.p, &polls[4], NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_job_limit(f.p, "", 1, 0, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_job_limit(f.p, "pack", 1, -1, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_job_limit(f.p, "pack", 1, 1e300 * 1e300, &f.err), PAWL_INVALID);
    const pawl_jobs_options lists[] = {
        { .struct_size = 0 },
        { .struct_size = sizeof(pawl_jobs_options), .limit = 1001 },
        { .struct_size = sizeof(pawl_jobs_options), .after = "99.1" },
        { .struct_size = sizeof(pawl_jobs_options), .after = "1.zz" },
        { .struct_size = sizeof(pawl_jobs_options), .namespaces = "1" },
    };
    for (size_t i = 0; i < PW_LENGTH(lists); i++)
        EXPECT_INT(pawl_jobs(f.p, &lists[i], &text, &f.err), PAWL_INVALID);
    deploy(&f, "packing", packing);
    char token[128];
    char *id = start(&f, "packing", NULL), *jobs = one_job(&f, 0);
    token_of(token, jobs);
    static char progress[5000];
    memset(progress, '1', sizeof progress - 1);
    EXPECT_INT(pawl_job_heartbeat(f.p, token, 0, progress, &text, &f.err), PAWL_INVALID);
    EXPECT_CONTAINS(f.err.message, "progress has 4999 bytes; at most 4096");
    EXPECT_OK(pawl_job_heartbeat(f.p, token, 0, "1", NULL, &f.err), f.err); /* who does not ask is told nothing */
    pawl_job_answer small = { .struct_size = 1, .token = token };
    EXPECT_INT(pawl_jobs_answer(f.p, &small, 1, NULL, &f.err), PAWL_INVALID);
    EXPECT_CONTAINS(f.err.message, "struct_size must be sizeof(pawl_job_answer)");
    const pawl_job_failure failures[] = {
        { .struct_size = 0 },
        { .struct_size = sizeof(pawl_job_failure), .status = 99 },
        { .struct_size = sizeof(pawl_job_failure), .status = 600 },
        { .struct_size = sizeof(pawl_job_failure), .retryable = 1, .retry_after_ms = 86400001 },
        { .struct_size = sizeof(pawl_job_failure), .title = "\xff" },
    };
    for (size_t i = 0; i < PW_LENGTH(failures); i++)
        EXPECT_INT(pawl_job_fail(f.p, token, &failures[i], NULL, NULL, &f.err), PAWL_INVALID);
    pawl_free(jobs);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ polls without a thread */

typedef struct listener {
    pw_reply told;
    char *jobs;
    pawl_code code;
    int heard;        /* what on_jobs answers */
    pawl_poll **self; /* it closes itself */
} listener;

static int listen_to(void *context, char *jobs, const pawl_error *err)
{
    listener *l = context;
    l->jobs = jobs;
    l->code = err ? err->code : PAWL_OK;
    int heard = l->heard;
    if (l->self)
        pawl_poll_close(*l->self);
    pw_reply_give(&l->told); /* the test goes on, and `l` may be gone */
    return heard;
}

static pawl_poll_options pack_poll(uint64_t wait_ms)
{
    static const char *const functions[] = { "pack" };
    return (pawl_poll_options){ .struct_size = sizeof(pawl_poll_options),
                                .functions = functions,
                                .function_count = 1,
                                .wait_ms = wait_ms };
}

TEST(jobs, a_poll_that_nobody_hears_any_more_gives_its_jobs_back_unharmed)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "packing", packing);
    listener gone = { .heard = 0 };
    pawl_poll *poll = NULL;
    EXPECT_OK(pw_reply_init(&gone.told, &f.err), f.err);
    const pawl_poll_options options = pack_poll(WAIT_MS);
    EXPECT_OK(pawl_poll_open(&poll, f.p, &options, listen_to, &gone, &f.err), f.err);
    char *id = start(&f, "packing", NULL);
    EXPECT(pw_reply_wait(&gone.told, pw_monotonic_ns() + WAIT_MS * 1000000ull));
    pawl_poll_close(poll);
    pw_reply_done(&gone.told);
    pawl_free(gone.jobs);
    char *jobs = one_job(&f, 0);
    EXPECT_ASK(jobs, ".jobs[0].attempt", "1");
    char *text = show(&f, id);
    EXPECT_ASK(text, ".token", "1"); /* nothing was committed */
    pawl_free(text);
    pawl_free(jobs);
    pawl_free(id);
    fixture_done(&f);
}

TEST(jobs, a_poll_may_be_closed_while_it_waits_and_by_its_own_callback)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "packing", packing);
    listener never = { .heard = 1 }, self = { .heard = 1 };
    pawl_poll *waits = NULL, *closes = NULL;
    self.self = &closes;
    EXPECT_OK(pw_reply_init(&self.told, &f.err), f.err);
    const pawl_poll_options options = pack_poll(WAIT_MS);
    EXPECT_OK(pawl_poll_open(&waits, f.p, &options, listen_to, &never, &f.err), f.err);
    pawl_poll_close(waits);
    EXPECT_OK(pawl_poll_open(&closes, f.p, &options, listen_to, &self, &f.err), f.err);
    char *id = start(&f, "packing", NULL);
    EXPECT(pw_reply_wait(&self.told, pw_monotonic_ns() + WAIT_MS * 1000000ull));
    pw_reply_done(&self.told);
    EXPECT_ASK(self.jobs, ".jobs | length", "1");
    EXPECT(never.jobs == NULL);
    pawl_free(self.jobs);
    pawl_poll_close(NULL);
    pawl_free(id);
    fixture_done(&f);
}

TEST(jobs, polls_are_told_when_the_engine_closes)
{
    enum { POLLS = 50 };
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    listener listeners[POLLS];
    pawl_poll *polls[POLLS];
    const pawl_poll_options options = pack_poll(300000);
    for (int i = 0; i < POLLS; i++) {
        listeners[i] = (listener){ .heard = 1, .code = PAWL_OK };
        EXPECT_OK(pw_reply_init(&listeners[i].told, &f.err), f.err);
        EXPECT_OK(pawl_poll_open(&polls[i], f.p, &options, listen_to, &listeners[i], &f.err),
                  f.err);
    }
    pw_jobs_close(f.p->jobs);
    for (int i = 0; i < POLLS; i++) {
        EXPECT(pw_reply_wait(&listeners[i].told, pw_monotonic_ns() + WAIT_MS * 1000000ull));
        EXPECT_INT(listeners[i].code, PAWL_BUSY);
        pw_reply_done(&listeners[i].told);
        pawl_poll_close(polls[i]);
    }
    fixture_done(&f);
}

/* ------------------------------------------------------------------ beside an incident */

TEST(jobs, what_a_faulted_instance_waits_for_is_taken_and_nothing_of_it_is_handed_out)
{
    fixture f;
    char tokens[2][128];
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "fork", "  - all: {fork: {branches: [{a: {call: pack, with: {n: 1}}}, {b: {call: pack, with: {n: 2}}}, "
                       "{c: {call: pack, with: {n: 3}}}]}}");
    char *id = start(&f, "fork", NULL), *text = NULL;
    for (int i = 0; i < 2; i++) {
        char *jobs = one_job(&f, 60000);
        token_of(tokens[i], jobs);
        pawl_free(jobs);
    }
    const pawl_job_failure failure = { .struct_size = sizeof failure, .status = 409, .title = "Taken" };
    EXPECT_OK(pawl_job_fail(f.p, tokens[1], &failure, NULL, NULL, &f.err), f.err);
    text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .error.title]", "[\"faulted\",\"Taken\"]");
    pawl_free(text);
    text = poll_with(&f, (pawl_poll_options){ .max = 5 }); /* the third one waits with its instance */
    EXPECT_TEXT(text, "{\"jobs\":[]}");
    pawl_free(text);
    complete(&f, tokens[0], "\"one\"", "{\"repeated\":false}");
    complete(&f, tokens[0], "\"one\"", "{\"repeated\":true}");
    fixture_close(&f);
    f.options.job_lease_ms = 100; /* so long somebody may be at the third */
    fixture_open(&f); /* nothing of it is looked at by the recovery, and nothing is lost */
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    text = show(&f, id);
    EXPECT_ASK(text, "[.status, .token, ([.waits[].kind] | sort)]",
               "[\"faulted\",3,[\"activity\",\"continue\",\"incident\"]]");
    pawl_free(text);
    EXPECT_OK(pawl_change_with(f.p, id, PAWL_RETRY, "mended", NULL, NULL, &f.err), f.err);
    for (int i = 0; i < 2; i++) { /* the one that failed, and the one that was not begun */
        char *jobs = one_job(&f, 60000);
        EXPECT_ASK(jobs, ".jobs[0].input.n > 1", "true");
        token_of(tokens[i], jobs);
        pawl_free(jobs);
        complete(&f, tokens[i], "\"more\"", "{\"repeated\":false}");
    }
    text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output]", "[\"completed\",[\"one\",\"more\",\"more\"]]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

TEST(jobs, when_the_incident_is_given_up_its_jobs_are_over)
{
    fixture f;
    char tokens[2][128];
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "fork", "  - all: {fork: {branches: [{a: {call: pack, with: {n: 1}}}, {b: {call: pack, with: {n: 2}}}]}}");
    char *id = start(&f, "fork", NULL), *text = NULL;
    for (int i = 0; i < 2; i++) {
        char *jobs = one_job(&f, 60000);
        token_of(tokens[i], jobs);
        pawl_free(jobs);
    }
    EXPECT_OK(pawl_job_fail(f.p, tokens[1], NULL, NULL, NULL, &f.err), f.err);
    EXPECT_OK(pawl_change_with(f.p, id, PAWL_FAIL, NULL, NULL, NULL, &f.err), f.err);
    EXPECT_INT(try_complete(&f, tokens[0], "1"), PAWL_LOST);
    EXPECT_INT(f.err.reason, PAWL_REASON_JOB_OVER);
    EXPECT_OK(pawl_jobs(f.p, NULL, &text, &f.err), f.err);
    EXPECT_ASK(text, ".jobs", "[]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ many at once */

typedef struct mill {
    fixture *f;
    atomic_uint done, repeated;
    unsigned wanted;
} mill;

/* A worker that now and then says everything twice. */
static void grind(void *context, unsigned number)
{
    mill *m = context;
    pawl_error err;
    while (atomic_load(&m->done) < m->wanted) {
        pawl_poll_options options = pack_poll(50);
        options.max = 1 + number;
        char *jobs = NULL;
        EXPECT_OK(pawl_jobs_poll(m->f->p, &options, &jobs, &err), err);
        for (unsigned i = 0;; i++) {
            char question[64], token[128];
            (void)snprintf(question, sizeof question, ".jobs[%u].token // \"\" | ltrimstr(\"x\")",
                           i);
            (void)snprintf(token, sizeof token, "%s", ask(jobs, question) + 1);
            token[strlen(token) - 1] = '\0';
            if (!token[0])
                break;
            for (unsigned times = 0; times < 1 + number % 2; times++) {
                char *told = NULL;
                EXPECT_OK(pawl_job_complete(m->f->p, token, "{\"n\":1}", NULL, &told, &err), err);
                atomic_fetch_add(&m->repeated, strstr(told, "true") != NULL);
                pawl_free(told);
            }
            atomic_fetch_add(&m->done, 1);
        }
        pawl_free(jobs);
    }
}

TEST(jobs, hundreds_of_jobs_are_done_once_each_by_many_workers)
{
    enum { INSTANCES = 100, TASKS = 3 };
    fixture f;
    fixture_init(&f, NULL);
    f.options.step_threads = 4;
    fixture_open(&f);
    deploy(&f, "three",
           "  - a: {call: pack, with: {n: 1}}\n  - b: {call: pack, with: {n: 2}}\n  - c: {call: "
           "pack, with: {n: 3}}");
    char *ids[INSTANCES];
    for (int i = 0; i < INSTANCES; i++)
        ids[i] = start(&f, "three", NULL);
    mill m = { .f = &f, .wanted = INSTANCES * TASKS };
    crew_run(6, grind, &m);
    EXPECT_INT(atomic_load(&m.done), INSTANCES * TASKS); /* none was handed out twice */
    EXPECT(atomic_load(&m.repeated) > 0);
    for (int i = 0; i < INSTANCES; i++) {
        char *text = finish(&f, ids[i]);
        EXPECT_ASK(text, "[.status, .token]", "[\"completed\",4]");
        pawl_free(text);
        pawl_free(ids[i]);
    }
    fixture_done(&f);
}

TEST(jobs, many_answers_at_once_have_each_their_own_outcome)
{
    enum { JOBS = 40 };
    fixture f;
    static char tokens[JOBS][128];
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "packing", packing);
    for (int i = 0; i < JOBS; i++)
        pawl_free(start(&f, "packing", NULL));
    char *jobs = NULL;
    unsigned got = 0;
    while (got < JOBS) {
        jobs = poll_with(&f, (pawl_poll_options){ .wait_ms = WAIT_MS, .max = JOBS });
        unsigned count = (unsigned)strtoul(ask(jobs, ".jobs | length"), NULL, 10);
        for (unsigned i = 0; i < count; i++, got++) {
            char question[48];
            (void)snprintf(question, sizeof question, ".jobs[%u].token", i);
            (void)snprintf(tokens[got], sizeof tokens[got], "%s", ask(jobs, question) + 1);
            tokens[got][strlen(tokens[got]) - 1] = '\0';
        }
        pawl_free(jobs);
    }
    pawl_job_answer answers[JOBS + 2];
    const pawl_job_failure failure = { .struct_size = sizeof failure, .status = 422 };
    for (int i = 0; i < JOBS; i++)
        answers[i] = (pawl_job_answer){ .struct_size = sizeof answers[i],
                                        .token = tokens[i],
                                        .result = "1",
                                        .failure = i == 7 ? &failure : NULL };
    answers[JOBS] = answers[0];
    answers[JOBS + 1] = (pawl_job_answer){ .struct_size = sizeof answers[0], .token = "x" };
    EXPECT_OK(pawl_jobs_answer(f.p, answers, JOBS + 2, NULL, &f.err), f.err);
    for (int i = 0; i < JOBS; i++) {
        EXPECT_OK(answers[i].error.code, answers[i].error);
        EXPECT_INT(answers[i].repeated, 0);
        char id[PW_ID_SIZE] = "";
        memcpy(id, tokens[i], PW_ID_LENGTH);
        char *text = finish(&f, id);
        EXPECT_ASK(text, ".status", i == 7 ? "\"faulted\"" : "\"completed\"");
        pawl_free(text);
    }
    EXPECT_INT(answers[JOBS].error.code, PAWL_OK);
    EXPECT_INT(answers[JOBS].repeated, 1);
    EXPECT_INT(answers[JOBS + 1].error.code, PAWL_INVALID);
    EXPECT_INT(answers[JOBS + 1].error.reason, PAWL_REASON_BAD_TOKEN);
    EXPECT_INT(pawl_jobs_answer(f.p, answers, 0, NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_jobs_answer(f.p, answers, 101, NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_jobs_answer(f.p, NULL, 1, NULL, &f.err), PAWL_INVALID);
    fixture_done(&f);
}

TEST(jobs, limits_hold_over_all_instances)
{
    fixture f;
    char token[128];
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "packing", packing);
    EXPECT_OK(pawl_job_limit(f.p, "pack", 2, 0, &f.err), f.err);
    char *ids[4];
    for (int i = 0; i < 4; i++)
        ids[i] = start(&f, "packing", NULL);
    char *jobs = poll_with(&f, (pawl_poll_options){ .max = 4, .wait_ms = WAIT_MS });
    EXPECT_ASK(jobs, ".jobs | length", "2");
    char *none = poll_with(&f, (pawl_poll_options){ .max = 4 });
    EXPECT_TEXT(none, "{\"jobs\":[]}");
    token_of(token, jobs);
    complete(&f, token, "1", "{\"repeated\":false}");
    char *next = one_job(&f, 0);
    pawl_free(next);
    pawl_free(none);
    pawl_free(jobs);
    for (int i = 0; i < 4; i++)
        pawl_free(ids[i]);
    fixture_done(&f);
}

TEST(jobs, urgent_ones_go_first_and_others_in_their_order)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "packing", packing);
    deploy(&f, "urgent", "  - pack: {call: pack, with: {}, metadata: {pawl: {priority: 7}}}");
    char *first = start(&f, "packing", NULL), *second = start(&f, "urgent", NULL);
    char *jobs = poll_with(&f, (pawl_poll_options){ .max = 2, .wait_ms = WAIT_MS });
    EXPECT_ASK(jobs, "[.jobs[] | [.name, .priority]] | sort", "[[\"packing\",0],[\"urgent\",7]]");
    pawl_free(jobs);
    pawl_free(second);
    pawl_free(first);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ traces */

TEST(jobs, jobs_and_calls_carry_correlation_and_a_span_of_their_own)
{
    static const char trace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    fixture f;
    char token[128], spans[3][80];
    service *s = service_new();
    service_on(s, "/pay", (service_answer){ .body = "ok" });
    fixture_init(&f, NULL);
    fixture_open(&f);
    char body[512];
    (void)snprintf(body, sizeof body,
                   "  - pay: {call: http, with: {method: post, endpoint: '%s', body: {n: 1}}}\n"
                   "  - pack: {call: pack, with: {}}\n  - again: {call: pack, with: {}}",
                   service_url(s, "/pay"));
    deploy(&f, "traced", body);
    const pawl_request request = { .struct_size = sizeof request,
                                   .trace = trace,
                                   .correlation = "order-7" };
    const pawl_start_options options = { .struct_size = sizeof options,
                                         .name = "traced",
                                         .request = &request };
    char *id = NULL;
    EXPECT_OK(pawl_start(f.p, &options, &id, NULL, &f.err), f.err);
    for (int i = 0; i < 2; i++) {
        char *jobs = one_job(&f, 0);
        EXPECT_ASK(jobs, ".jobs[0].correlation", "\"order-7\"");
        (void)snprintf(spans[i], sizeof spans[i], "%s", ask(jobs, ".jobs[0].traceparent"));
        token_of(token, jobs);
        complete(&f, token, "1", "{\"repeated\":false}");
        pawl_free(jobs);
    }
    const service_request *called = service_request_at(s, 0);
    EXPECT_TEXT(service_header(s, called, "X-Correlation-ID"), "order-7");
    (void)snprintf(spans[2], sizeof spans[2], "\"%s\"", service_header(s, called, "traceparent"));
    for (int i = 0; i < 3; i++) {
        EXPECT(strncmp(spans[i] + 1, trace, 36) == 0); /* version and trace */
        EXPECT(strcmp(spans[i] + 53, "-01\"") == 0);
        EXPECT(strncmp(spans[i] + 37, trace + 36, 16) != 0); /* not the span of who began it */
    }
    EXPECT(strcmp(spans[0], spans[1]) != 0 && strcmp(spans[1], spans[2]) != 0);
    pawl_free(id);
    fixture_done(&f);
    service_free(s);
}

TEST_MAIN()
