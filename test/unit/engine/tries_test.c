/* tries_test.c - commands that the store does not take: how long their callers wait, what they hear, and that none has its
 * effect twice. */
#include <sched.h>
#include <sqlite3.h>
#include "fixture.h"

static const char approval[] = "  - ask: {call: userTask, with: {key: ok}}";

/* Another program writes, and the store has to wait for it: shorter than it would give up by itself. */
static sqlite3 *lock_store(const fixture *f)
{
    sqlite3 *db = NULL;
    EXPECT_INT(sqlite3_open(f->store, &db), SQLITE_OK);
    EXPECT_INT(sqlite3_busy_timeout(db, 5000), SQLITE_OK);
    EXPECT_INT(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void unlock_store(sqlite3 *db)
{
    EXPECT_INT(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
}

/* A command of a thread of its own. */
typedef struct caller {
    fixture *f;
    const char *id;
    enum { START, RESUME, CANCEL } what;
    char *started;
    pthread_t thread;
    pawl_code code;
    pawl_error err;
} caller;

static void *call(void *context)
{
    caller *c = context;
    const pawl_start_options options = { .struct_size = sizeof options, .name = "ask", .key = "order-1" };
    c->code = c->what == START    ? pawl_start(c->f->p, &options, &c->started, NULL, &c->err)
              : c->what == RESUME ? pawl_resume(c->f->p, c->id, "ok", "{\"n\":1}", "ann", &c->err)
                                  : pawl_cancel(c->f->p, c->id, "ann", NULL, &c->err);
    return NULL;
}

static void begin(caller *c)
{
    EXPECT_INT(pthread_create(&c->thread, NULL, call, c), 0);
}

static void end(caller *c, pawl_code expected)
{
    EXPECT_INT(pthread_join(c->thread, NULL), 0);
    if (c->code != expected)
        fail_msg("%s: %s", pawl_code_name(c->code), c->err.message);
}

static void open_with(fixture *f, pawl_resilience *resilience)
{
    fixture_init(f, NULL);
    f->options.resilience = resilience;
    fixture_open(f);
    deploy(f, "ask", approval);
}

static void wait_retried(fixture *f, pw_fault_kind kind, unsigned times)
{
    while (atomic_load(&f->p->tried[kind].retried) < times)
        (void)sched_yield();
}

TEST(tries, a_store_that_does_not_answer_is_waited_for_no_longer_than_database_operation)
{
    fixture f;
    pawl_resilience patient = test_retries(3), resilience = patient;
    resilience.store_ms = 300; /* for these three only: nothing else here may be hurried */
    open_with(&f, &patient);
    char *id = start(&f, "ask", NULL);
    fixture_close(&f);
    f.options.resilience = &resilience;
    fixture_open(&f);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    sqlite3 *db = lock_store(&f);
    caller starts = { .f = &f, .what = START }, first = { .f = &f, .id = id, .what = RESUME },
           second = first;
    begin(&first); /* one of them is being committed, the other one is behind it */
    begin(&second);
    begin(&starts);
    end(&first, PAWL_IO);
    end(&second, PAWL_IO);
    end(&starts, PAWL_IO);
    unlock_store(db);
    fixture_close(&f);
    EXPECT_CONTAINS(first.err.message, "300 ms (DatabaseOperation) (tried 1 time in ");
    EXPECT_CONTAINS(second.err.message, "300 ms (DatabaseOperation) (tried 1 time in ");
    static const char unsure[] = "It may be committed yet: look, before you ask again.";
    EXPECT(strstr(first.err.message, unsure) || strstr(second.err.message, unsure));
    EXPECT(starts.started == NULL);
    /* the store may have taken one, and a repeat is its effect or is told so; what was given up behind it never was */
    f.options.resilience = &patient;
    fixture_open(&f);
    EXPECT_OK(pawl_resume(f.p, id, "ok", "{\"n\":1}", "ann", &f.err), f.err);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .token, .output.n]", "[\"completed\",2,1]");
    pawl_free(text);
    char *again = start_key(&f, "ask", "order-1", NULL, NULL);
    text = show(&f, again);
    EXPECT_ASK(text, "[.status, .token]", "[\"waiting\",1]");
    pawl_free(text);
    EXPECT_OK(pawl_count(f.p, NULL, &text, &f.err), f.err);
    EXPECT_ASK(text, ".total", "2");
    pawl_free(text);
    pawl_free(again);
    pawl_free(id);
    fixture_done(&f);
}

TEST(tries, what_is_no_start_and_no_resume_is_tried_until_the_store_takes_it)
{
    fixture f;
    pawl_resilience resilience = test_retries(0);
    open_with(&f, &resilience);
    char *id = start(&f, "ask", NULL);
    fill_disk(true);
    caller cancels = { .f = &f, .id = id, .what = CANCEL }, resumes = { .f = &f, .id = id, .what = RESUME };
    begin(&cancels);
    wait_retried(&f, PW_FAULT_RESUME, 3);
    begin(&resumes); /* comes while the store is known to fail, and may be tried once */
    EXPECT_INT(pthread_join(resumes.thread, NULL), 0);
    fill_disk(false);
    end(&cancels, PAWL_OK);
    EXPECT_INT(resumes.code, PAWL_IO);
    EXPECT_CONTAINS(resumes.err.message, "(tried 1 time in ");
    EXPECT_INT(atomic_load(&f.p->tried[PW_FAULT_RESUME].failed), 1);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .token]", "[\"cancelled\",2]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

TEST(tries, who_waits_for_another_try_is_told_when_the_engine_closes)
{
    fixture f;
    pawl_resilience resilience = test_retries(3);
    open_with(&f, &resilience);
    f.p->faults.retry[PW_FAULT_STARTUP].delay_ms = f.p->faults.retry[PW_FAULT_STARTUP].delay_ms_max = 20000;
    f.p->faults.retry[PW_FAULT_STARTUP].full_jitter = false;
    fill_disk(true);
    caller starts = { .f = &f, .what = START };
    begin(&starts);
    wait_retried(&f, PW_FAULT_STARTUP, 1);
    fixture_close(&f);
    fill_disk(false);
    EXPECT_INT(pthread_join(starts.thread, NULL), 0);
    EXPECT(starts.code == PAWL_BUSY || starts.code == PAWL_IO); /* from here, or by the committer, which had it */
    EXPECT(starts.started == NULL);
    fixture_open(&f);
    int existed = -1;
    char *id = start_key(&f, "ask", "order-1", NULL, &existed);
    EXPECT_INT(existed, 0);
    pawl_free(id);
    fixture_done(&f);
}

TEST(tries, the_last_error_says_why_how_often_and_what_to_do)
{
    fixture f;
    pawl_resilience resilience = test_retries(2);
    open_with(&f, &resilience);
    char *id = start(&f, "ask", NULL);
    fill_disk(true);
    caller starts = { .f = &f, .what = START }, resumes = { .f = &f, .id = id, .what = RESUME };
    begin(&starts);
    begin(&resumes);
    EXPECT_INT(pthread_join(starts.thread, NULL), 0);
    EXPECT_INT(pthread_join(resumes.thread, NULL), 0);
    fill_disk(false);
    EXPECT_INT(starts.code, PAWL_IO);
    EXPECT_INT(resumes.code, PAWL_IO);
    EXPECT_CONTAINS(starts.err.message, "pawl.db");
    EXPECT_CONTAINS(starts.err.message, "(tried 3 times in ");
    EXPECT_CONTAINS(resumes.err.message, "(tried 3 times in ");
    /* two callers that were told that nothing was committed were told the truth, else that they have to look */
    bool unsure = strstr(resumes.err.message, "may be committed yet") != NULL;
    EXPECT(unsure || strstr(resumes.err.message, "nothing was consumed") != NULL);
    if (!unsure)
        EXPECT_CONTAINS(resumes.err.message, "`pawl show ");
    pawl_code code;
    while ((code = pawl_resume(f.p, id, "ok", "{\"n\":1}", "ann", &f.err)) == PAWL_IO)
        ;
    EXPECT_INT(code, PAWL_OK);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .token, .output.n]", "[\"completed\",2,1]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

TEST_MAIN()
