/* locks_test.c - the nth lock or condition that is asked for cannot be made, and none after it: opening is refused, and leaves nothing;
 * a command is refused, or it is done. The linker puts the two functions below in the place of the system's. */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include "fixture.h"

static atomic_uint asked, fail_from; /* 0: none fails */

int __real_pthread_mutex_init(pthread_mutex_t *lock, const pthread_mutexattr_t *attributes);
int __real_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes);
int __wrap_pthread_mutex_init(pthread_mutex_t *lock, const pthread_mutexattr_t *attributes);
int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes);

static bool refused(void)
{
    const unsigned nth = atomic_fetch_add(&asked, 1) + 1, from = atomic_load(&fail_from);
    return from && nth >= from;
}

int __wrap_pthread_mutex_init(pthread_mutex_t *lock, const pthread_mutexattr_t *attributes)
{
    return refused() ? ENOMEM : __real_pthread_mutex_init(lock, attributes);
}

int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes)
{
    return refused() ? ENOMEM : __real_pthread_cond_init(cond, attributes);
}

static void fail_nth(unsigned nth)
{
    atomic_store(&asked, 0);
    atomic_store(&fail_from, nth);
}

/* Whether there was one that could not be made. */
static bool end_failing(void)
{
    const bool some = atomic_load(&asked) >= atomic_load(&fail_from);
    atomic_store(&fail_from, 0);
    return some;
}

TEST(locks, an_engine_without_them_does_not_open_and_leaves_nothing)
{
    fixture f;
    unsigned failures = 0;
    bool some = true;
    fixture_init(&f, "memory:");
    for (unsigned nth = 1; some; nth++) {
        f.p = NULL;
        fail_nth(nth);
        pawl_code code = pawl_open(&f.p, &f.options, &f.err);
        some = end_failing();
        EXPECT((code == PAWL_OK) == (f.p != NULL));
        if (code != PAWL_OK)
            EXPECT_INT(code, PAWL_NO_MEMORY);
        failures += code != PAWL_OK;
        fixture_close(&f);
        EXPECT(nth < 500);
    }
    EXPECT(failures > 20);
    fixture_done(&f);
}

TEST(locks, a_command_without_them_is_refused_and_done_when_it_comes_again)
{
    static const char approval[] = "  - ask: {call: userTask, with: {key: ok}}";
    fixture f;
    char *id = NULL;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    const pawl_start_options options = { .struct_size = sizeof options, .name = "ask" };
    fail_nth(1);
    pawl_code started = pawl_start(f.p, &options, &id, NULL, &f.err);
    EXPECT(end_failing());
    EXPECT_INT(started, PAWL_NO_MEMORY);
    EXPECT(id == NULL);
    id = start(&f, "ask", NULL);
    fail_nth(1);
    pawl_code resumed = pawl_resume(f.p, id, "ok", "1", NULL, &f.err);
    pawl_code deleted = pawl_delete(f.p, id, NULL, &f.err);
    EXPECT(end_failing());
    EXPECT_INT(resumed, PAWL_NO_MEMORY);
    EXPECT_INT(deleted, PAWL_NO_MEMORY);
    EXPECT_OK(pawl_resume(f.p, id, "ok", "1", NULL, &f.err), f.err);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .token]", "[\"completed\",2]");
    pawl_free(text);
    fail_nth(1);
    deleted = pawl_delete(f.p, id, NULL, &f.err);
    EXPECT(end_failing());
    EXPECT_INT(deleted, PAWL_NO_MEMORY);
    EXPECT_OK(pawl_delete(f.p, id, NULL, &f.err), f.err);
    EXPECT_INT(pawl_show(f.p, id, &text, &f.err), PAWL_NOT_FOUND);
    pawl_free(id);
    fixture_done(&f);
}

TEST(locks, what_the_recovery_could_not_ask_for_it_asks_for_again)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "gate", "  - work: {call: gate, with: {}}");
    char *id = start(&f, "gate", NULL);
    gate_wait_entered(&f.gate, 1);
    fixture_close(&f);
    fixture_open(&f);
    gate_wait_entered(&f.gate, 2); /* opened, and looking */
    fail_nth(1);
    pw_recovery_again(f.p->recovery);
    while (atomic_load(&asked) == 0)
        (void)sched_yield();
    EXPECT(end_failing());
    gate_open(&f.gate, UINT_MAX);
    char *text = finish(&f, id);
    EXPECT_ASK(text, ".status", "\"completed\"");
    pawl_free(text);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err); /* a whole round was made since */
    pawl_free(id);
    fixture_done(&f);
}

TEST_MAIN()
