/* request_test.c - requests with an idempotency key, when the process dies between their parts: what is asked for again
 * has one effect, and one answer.
 *
 * The program is its own child: `test_engine_request --ask STORE` sends a start and an answer to a store, and dies where
 * PAWL_FAULT says. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "fixture.h"

static const char approval[] = "  - ask: {call: userTask, with: {key: ok}}";

/* Both requests; the id and the answer of the second, to pawl_free(). */
static pawl_code ask_for_both(pawl *p, char **id, char **answer, pawl_error *err)
{
    const pawl_request first = { .struct_size = sizeof first, .actor = "ann", .idempotency_key = "r1" };
    const pawl_request second = { .struct_size = sizeof second, .actor = "ann", .idempotency_key = "r2" };
    const pawl_start_options start_options = { .struct_size = sizeof start_options, .name = "ask", .request = &first };
    pawl_code code = pawl_start(p, &start_options, id, NULL, err);
    if (code != PAWL_OK)
        return code;
    const pawl_resume_options options = { .struct_size = sizeof options, .id = *id, .key = "ok", .data = "{\"n\":1}" };
    return pawl_resume_with(p, &options, &second, answer, err);
}

static int ask_store(const char *store)
{
    pawl *p = NULL;
    char *id = NULL, *answer = NULL;
    pawl_error err;
    pawl_options options = test_options();
    options.store = store;
    options.step_threads = 1;
    pawl_code code = pawl_open(&p, &options, &err);
    if (code == PAWL_OK)
        code = ask_for_both(p, &id, &answer, &err);
    if (code != PAWL_OK)
        (void)fprintf(stderr, "%s\n", err.message);
    pawl_free(answer);
    pawl_free(id);
    pawl_close(p);
    return code == PAWL_OK ? 0 : 1;
}

/* True: it died at its point; false: it came to its end. */
static bool child_dies(const char *store, const char *point, unsigned nth)
{
    char fault[80];
    (void)snprintf(fault, sizeof fault, "%s:%u", point, nth);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        (void)setenv("PAWL_FAULT", fault, 1);
        (void)execl("/proc/self/exe", "test_engine_request", "--ask", store, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    EXPECT_INT(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        EXPECT_INT(WTERMSIG(status), SIGKILL);
        return true;
    }
    EXPECT_INT(WEXITSTATUS(status), 0);
    return false;
}

static void expect_one_effect(fixture *f)
{
    char *id = NULL, *answer = NULL, *list = NULL;
    EXPECT_OK(ask_for_both(f->p, &id, &answer, &f->err), f->err);
    EXPECT_ASK(answer, "[.key, .token, .status, .repeated]", "[\"ok\",2,\"completed\",false]");
    EXPECT_OK(pawl_list(f->p, NULL, &list, &f->err), f->err);
    EXPECT_ASK(list, "[.instances[].status]", "[\"completed\"]");
    char *log = steps(f, id);
    EXPECT_ASK(log, "[.steps[] | [.sequence, .event, .actor]]", "[[1,\"start\",\"ann\"],[2,\"resume\",\"ann\"]]");
    pawl_free(log);
    pawl_free(list);
    pawl_free(answer);
    pawl_free(id);
}

TEST(request, one_that_died_anywhere_on_its_way_and_is_sent_again_has_one_effect)
{
    static const char *const points[] = {
        "engine-before-decide", "engine-after-decide", "engine-before-commit", "store-before-begin", "store-after-update",
        "store-after-writes", "store-before-commit", "store-after-commit", "engine-after-commit", "engine-before-act",
        "engine-after-act", "engine-before-answer",
    };
    enum { PASSINGS = 2 }; /* of the start, and of the answer */
    unsigned kills = 0;
    for (size_t i = 0; i < PW_LENGTH(points); i++)
        for (unsigned nth = 1; nth <= PASSINGS; nth++) {
            fixture f;
            fixture_init(&f, NULL);
            (void)snprintf(f.store, sizeof f.store, "%.400s/%zu-%u.db", pw_test_dir(), i, nth);
            fixture_open(&f);
            deploy(&f, "ask", approval);
            fixture_close(&f);
            kills += child_dies(f.store, points[i], nth);
            fixture_open(&f);
            expect_one_effect(&f);
            fixture_done(&f);
        }
    EXPECT_INT(kills, PW_LENGTH(points) * PASSINGS);
}

TEST(request, its_answer_is_forgotten_after_a_day_but_its_instance_is_not_made_again)
{
    enum { DAY_MS = 86400000 };
    fixture f;
    fixture_init(&f, "memory:");
    fixture_clock(&f, 1000);
    f.options.check_ms = 10;
    fixture_open(&f);
    deploy(&f, "ask", approval);
    char *id = NULL, *answer = NULL;
    EXPECT_OK(ask_for_both(f.p, &id, &answer, &f.err), f.err);
    pawl_free(answer);
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_inbox_row row;
    fixture_clock(&f, 1000 + DAY_MS);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    EXPECT_OK(pw_store_inbox_get(f.p->store, pw_str_of(id), PW_LIT("request:r2"), &row, &arena, &f.err), f.err);
    fixture_clock(&f, 1002 + DAY_MS);
    while (pw_store_inbox_get(f.p->store, pw_str_of(id), PW_LIT("request:r2"), &row, &arena, &f.err) == PAWL_OK)
        EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err); /* each is a round, and a check every 10 ms */
    char *again = NULL;
    int existed = -1;
    const pawl_request first = { .struct_size = sizeof first, .actor = "ann", .idempotency_key = "r1" };
    pawl_start_options options = { .struct_size = sizeof options, .name = "ask", .request = &first };
    while (pw_store_inbox_get(f.p->store, pw_str_of(id), PW_LIT("request:r1"), &row, &arena, &f.err) == PAWL_OK)
        EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    EXPECT_OK(pawl_start(f.p, &options, &again, &existed, &f.err), f.err);
    EXPECT_TEXT(again, id);
    EXPECT_INT(existed, 1); /* it is there, but nobody knows what was answered */
    options.input = "2";
    EXPECT_INT(pawl_start(f.p, &options, NULL, NULL, &f.err), PAWL_CONFLICT);
    EXPECT_INT(f.err.reason, PAWL_REASON_REQUEST_REUSED);
    pw_arena_done(&arena);
    pawl_free(again);
    pawl_free(id);
    fixture_done(&f);
}

TEST(request, a_check_that_finds_nothing_to_forget_writes_nothing)
{
    fixture f;
    fixture_init(&f, NULL);
    f.options.check_ms = 1;
    fixture_open(&f);
    deploy(&f, "ask", approval);
    char *id = NULL, *answer = NULL;
    EXPECT_OK(ask_for_both(f.p, &id, &answer, &f.err), f.err);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    pw_store_counts before, after;
    pw_store_count(f.p->store, &before);
    for (int i = 0; i < 20; i++)
        EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    pw_store_count(f.p->store, &after);
    EXPECT_INT(after.statements, before.statements);
    EXPECT_INT(after.syncs, before.syncs);
    pawl_free(answer);
    pawl_free(id);
    fixture_done(&f);
}

/* Whatever allocation fails: an answer, no second effect, and afterwards the same request is answered. */
TEST(request, running_out_of_memory_has_no_half_effect)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    unsigned refused = 0, instances = 0;
    for (unsigned nth = 1; nth < 120; nth++) {
        char key[16], *id = NULL, *again = NULL, *answer = NULL, *other = NULL, *mark = NULL, count[16];
        (void)snprintf(key, sizeof key, "k%u", nth);
        const pawl_request first = { .struct_size = sizeof first, .actor = "ann", .idempotency_key = key };
        const pawl_start_options starting = { .struct_size = sizeof starting, .name = "ask", .request = &first, .labels = "{\"a\":\"b\"}" };
        pw_alloc_fail_after(nth);
        pawl_code code = pawl_start(f.p, &starting, &id, NULL, &f.err);
        pw_alloc_fail_after(0);
        EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY);
        refused += code != PAWL_OK;
        EXPECT_OK(pawl_start(f.p, &starting, &again, NULL, &f.err), f.err);
        if (id)
            EXPECT_TEXT(id, again);
        const pawl_bookmark_options claim = { .struct_size = sizeof claim, .id = again, .key = "ok", .lease_ms = 60000 };
        const pawl_request claiming = { .struct_size = sizeof claiming, .actor = "ann", .idempotency_key = "claim" };
        pw_alloc_fail_after(nth);
        code = pawl_bookmark_change(f.p, &claim, &claiming, &mark, &f.err);
        pw_alloc_fail_after(0);
        EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY);
        pawl_free(mark);
        EXPECT_OK(pawl_bookmark_change(f.p, &claim, &claiming, &mark, &f.err), f.err);
        EXPECT_ASK(mark, "[.claimedBy, .token]", "[\"ann\",2]");
        const pawl_request second = { .struct_size = sizeof second, .actor = "ann", .idempotency_key = "answer" };
        const pawl_resume_options options = { .struct_size = sizeof options, .id = again, .key = "ok", .data = "{\"n\":1}" };
        pw_alloc_fail_after(nth);
        code = pawl_resume_with(f.p, &options, &second, &answer, &f.err);
        pw_alloc_fail_after(0);
        EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY);
        EXPECT((answer != NULL) == (code == PAWL_OK));
        EXPECT_OK(pawl_resume_with(f.p, &options, &second, &other, &f.err), f.err);
        EXPECT_ASK(other, "[.token, .status, .repeated]", "[3,\"completed\",false]");
        if (answer)
            EXPECT_TEXT(answer, other);
        char *page = NULL;
        instances++;
        (void)snprintf(count, sizeof count, "%u", instances);
        const pawl_list_options labelled = { .struct_size = sizeof labelled, .labels = "{\"a\":\"b\"}" };
        EXPECT_OK(pawl_count(f.p, &labelled, &page, &f.err), f.err);
        EXPECT_ASK(page, ".total", count);
        pawl_free(page);
        pawl_free(mark);
        pawl_free(other);
        pawl_free(answer);
        pawl_free(again);
        pawl_free(id);
    }
    EXPECT(refused > 10);
    fixture_done(&f);
}

TEST(request, one_of_no_instance_is_known_by_its_actor_and_key)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    int seen = -1;
    EXPECT_OK(pawl_once(f.p, "ann", "k", "d1", &seen, &f.err), f.err);
    EXPECT_INT(seen, 0);
    EXPECT_OK(pawl_once(f.p, "ann", "k", "d1", &seen, &f.err), f.err);
    EXPECT_INT(seen, 1);
    EXPECT_OK(pawl_once(f.p, "bob", "k", "d2", &seen, &f.err), f.err);
    EXPECT_INT(seen, 0);
    EXPECT_INT(pawl_once(f.p, "ann", "k", "d2", &seen, &f.err), PAWL_CONFLICT);
    EXPECT_INT(f.err.reason, PAWL_REASON_REQUEST_REUSED);
    EXPECT_INT(pawl_once(f.p, "ann", NULL, "d2", &seen, &f.err), PAWL_INVALID);
    fixture_done(&f);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--ask") == 0)
        return ask_store(argv[2]);
    return pw_test_main(argc, argv);
}
