/* jobs_test.c - jobs for workers: handed out, answered, lost, limited; over restarts; two nodes. */
#include <limits.h>
#include "fixture.h"

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

TEST_MAIN()
