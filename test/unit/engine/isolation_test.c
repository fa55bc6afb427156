/* isolation_test.c - the suite "isolation": a thousand instances stuck on one service take nothing from those that use
 * another, and what is over holds nothing. Requests, sockets, threads and places are counted; no time is measured. */
#include <dirent.h>
#include <limits.h>
#include <malloc.h>
#include <sqlite3.h>
#include <unistd.h>
#include "trouble.h"

static const char json[] = "Content-Type: application/json\r\n";

enum { STUCK = 1000, OTHERS = 300, BULKHEAD = 64 };

static service_answer good(void)
{
    return (service_answer){ .headers = json, .body = "{\"good\":true}" };
}

static void start_many(trouble *t, const char *name, unsigned count, char **ids)
{
    for (unsigned i = 0; i < count; i++)
        ids[i] = start(&t->f, name, NULL);
}

static void finish_many(trouble *t, unsigned count, char **ids)
{
    for (unsigned i = 0; i < count; i++) {
        EXPECT_OK(pawl_wait(t->f.p, ids[i], PAWL_WAIT_END, WAIT_MS, NULL, &t->f.err), t->f.err);
        pawl_free(ids[i]);
    }
}

static void expect_statuses(trouble *t, const char *name, const char *expected)
{
    char *text = NULL;
    const pawl_list_options options = { .struct_size = sizeof options, .name = name };
    EXPECT_OK(pawl_count(t->f.p, &options, &text, &t->f.err), t->f.err);
    EXPECT_ASK(text, ".statuses | del(.[] | select(. == 0))", expected);
    pawl_free(text);
}

/* Entries of a folder of /proc/self, "fd": only sockets. */
static unsigned count_in(const char *folder, bool sockets)
{
    char path[300], target[64];
    unsigned count = 0;
    (void)snprintf(path, sizeof path, "/proc/self/%s", folder);
    DIR *dir = opendir(path);
    EXPECT(dir != NULL);
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "/proc/self/%s/%.200s", folder, entry->d_name);
        ssize_t length = sockets ? readlink(path, target, sizeof target - 1) : 0;
        count += !sockets || (length > 6 && memcmp(target, "socket", 6) == 0);
    }
    (void)closedir(dir);
    return count;
}

/* ------------------------------------------------------------------ isolation */

TEST(isolation, a_thousand_stuck_on_a_service_that_hangs_keep_its_places_and_no_others)
{
    trouble t;
    service *b = service_new();
    static char *stuck[STUCK], *others[OTHERS];
    trouble_init(&t, "memory:");
    trouble_open(&t);
    service_on(t.s, "/a", (service_answer){ .hold = true });
    service_on(b, "/b", good());
    deploy_call(&t, "a", "/a", NULL);
    deploy_call_to(&t, "b", service_url(b, "/b"), NULL);
    start_many(&t, "a", STUCK, stuck);
    service_wait_held(t.s, BULKHEAD);
    start_many(&t, "b", OTHERS, others);
    finish_many(&t, OTHERS, others); /* each of them, while nothing moves at the other */
    expect_statuses(&t, "b", "{\"completed\":300}");
    expect_statuses(&t, "a", "{\"waiting\":1000}");
    EXPECT_INT(service_requests(b), OTHERS);
    EXPECT_INT(service_requests(t.s), BULKHEAD);
    EXPECT_INT(service_at_once_max(t.s), BULKHEAD);
    EXPECT_BREAKERS(&t, "[.breakers[] | [.active, .waiting]] | sort", "[[0,0],[64,936]]");
    for (unsigned i = 0; i < STUCK; i++)
        pawl_free(stuck[i]);
    trouble_done(&t);
    service_free(b);
}

TEST(isolation, a_thousand_wait_for_a_dead_service_and_nothing_reaches_it_while_others_go_on)
{
    trouble t;
    service *b = service_new();
    static char *stuck[STUCK], *others[OTHERS];
    trouble_init(&t, "memory:");
    fixture_clock(&t.f, 0);
    t.resilience.breaker_break_ms = 3600000;
    t.resilience.call_retries = 1000;
    t.resilience.call_base_delay_ms = 0;
    t.resilience.calls_at_once = 1; /* none is under way when it opens */
    trouble_open(&t);
    service_on(t.s, "/a", (service_answer){ .status = 503, .times = 10 });
    service_on(t.s, "/a", good());
    service_on(b, "/b", good());
    deploy_call(&t, "a", "/a", NULL);
    deploy_call_to(&t, "b", service_url(b, "/b"), NULL);
    start_many(&t, "a", STUCK, stuck);
    until_breakers(&t, "[.breakers[] | [.state, .active, .waiting]]", "[[\"open\",0,1000]]");
    unsigned before = service_requests(t.s);
    EXPECT_INT(before, 10); /* MinimumThroughput */
    start_many(&t, "b", OTHERS, others);
    finish_many(&t, OTHERS, others);
    EXPECT_INT(service_requests(b), OTHERS);
    EXPECT_INT(service_requests(t.s), before);
    expect_statuses(&t, "a", "{\"waiting\":1000}");
    char name[64];
    (void)snprintf(name, sizeof name, "http://127.0.0.1:%d", service_port(t.s));
    EXPECT_OK(pawl_breaker_force(t.f.p, name, "auto", NULL, NULL, NULL, &t.f.err), t.f.err);
    finish_many(&t, STUCK, stuck);
    EXPECT_INT(service_requests(t.s), before + STUCK);
    expect_statuses(&t, "a", "{\"completed\":1000}");
    trouble_done(&t);
    service_free(b);
}

TEST(isolation, those_who_wait_are_let_go_by_the_clock_of_the_breaker_at_a_ramp)
{
    trouble t;
    static char *stuck[STUCK];
    trouble_init(&t, "memory:");
    fixture_clock(&t.f, 1700000000000); /* before today: it stands until all who were under way have been answered */
    t.resilience.breaker_break_ms = 5;
    t.resilience.call_retries = 1000;
    t.resilience.call_base_delay_ms = 0;
    trouble_open(&t);
    /* up to 9 before it opens, and 64 that are under way then: the others of these are probes */
    const unsigned failed = 9 + BULKHEAD + 16;
    service_on(t.s, "/a", (service_answer){ .status = 503, .times = failed });
    service_on(t.s, "/a", (service_answer){ .headers = json, .body = "1", .hold = true });
    deploy_call(&t, "a", "/a", NULL);
    start_many(&t, "a", STUCK, stuck);
    until_breakers(&t, "[.breakers[] | [.state, .active, .waiting]]", "[[\"open\",0,1000]]");
    EXPECT(service_requests(t.s) <= 9 + BULKHEAD);
    fixture_clock(&t.f, 0); /* from here on time goes by */
    service_wait_held(t.s, 1);
    until_breakers(&t, "[.breakers[] | [.state, .active, .waiting]]", "[[\"half-open\",1,999]]");
    EXPECT_INT(service_requests(t.s), failed + 1); /* one probe, whoever waits */
    unsigned arrived = 1;
    for (unsigned step = 1; step <= 5; step++) { /* the probe's success closes it; then one more for each */
        service_release(t.s, 1);
        arrived += step == 1 ? 1 : 2;
        service_wait_requests(t.s, failed + arrived);
        char expected[64];
        (void)snprintf(expected, sizeof expected, "[[\"closed\",%u,%u]]", step, STUCK - arrived);
        until_breakers(&t, "[.breakers[] | [.state, .active, .waiting]]", expected);
        EXPECT_INT(service_requests(t.s), failed + arrived);
    }
    service_release(t.s, STUCK);
    finish_many(&t, STUCK, stuck);
    EXPECT_INT(service_requests(t.s), failed + STUCK); /* each once */
    EXPECT(service_at_once_max(t.s) <= BULKHEAD);
    trouble_done(&t);
}

TEST(isolation, a_call_that_waits_takes_little_memory)
{
    trouble t;
    static char *stuck[STUCK];
    void *probe = malloc(1000); /* a sanitizer's malloc does not tell */
    size_t told = mallinfo2().uordblks;
    free(probe);
    if (told == 0)
        pw_test_skip("this malloc counts nothing");
    trouble_init(&t, "memory:");
    trouble_open(&t);
    service_on(t.s, "/a", (service_answer){ .hold = true });
    deploy_call(&t, "a", "/a", NULL);
    start_many(&t, "a", BULKHEAD, stuck); /* those that are sent have buffers of their own */
    service_wait_held(t.s, BULKHEAD);
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    start_many(&t, "a", STUCK - BULKHEAD, stuck + BULKHEAD);
    until_breakers(&t, "[.breakers[] | [.active, .waiting]]", "[[64,936]]");
    size_t each = (mallinfo2().uordblks + mallinfo2().hblkhd - before) / (STUCK - BULKHEAD);
    printf("# %zu bytes for an instance whose call waits, its rows in the memory store with it\n", each);
    EXPECT(each < 64 << 10);
    for (unsigned i = 0; i < STUCK; i++)
        pawl_free(stuck[i]);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ what is over holds nothing */

TEST(isolation, calls_that_timed_out_hold_no_socket_no_thread_and_no_place)
{
    enum { CALLS = 100 };
    trouble t;
    char *ids[CALLS];
    trouble_init(&t, "memory:");
    t.f.options.http_timeout_ms = 100;
    t.resilience.call_retries = 0;
    t.resilience.breaker_failures = 1000000;
    trouble_open(&t);
    service_on(t.s, "/b", good());
    deploy_call(&t, "b", "/b", NULL);
    unsigned late = 0; /* calls whose time was over, on a busy machine */
    for (bool called = false; !called; late += !called) { /* what the first call makes and keeps is there */
        ids[0] = start(&t.f, "b", NULL);
        char *text = finish(&t.f, ids[0]);
        called = strcmp(ask(text, ".status"), "\"completed\"") == 0;
        pawl_free(text);
        pawl_free(ids[0]);
    }
    unsigned sockets = count_in("fd", true);
    service_on(t.s, "/a", (service_answer){ .hold = true });
    deploy_call(&t, "a", "/a", NULL);
    start_many(&t, "a", CALLS, ids);
    for (unsigned i = 0; i < CALLS; i++) {
        idle(&t, ids[i]);
        EXPECT_SHOW(&t, ids[i], "[.status, .error.status]", "[\"faulted\",504]");
    }
    EXPECT_INT(pw_http_in_flight(t.f.p->http), 0);
    char expected[32];
    (void)snprintf(expected, sizeof expected, "[[0,0,%u]]", CALLS + late);
    EXPECT_BREAKERS(&t, "[.breakers[] | [.active, .waiting, .failed]]", expected);
    EXPECT(service_requests(t.s) > 1); /* of some the time was over before they were sent, on a busy machine */
    /* the service's ends are freed when it goes; ours are closed: one kept connection may be left */
    service_free(t.s);
    t.s = service_new();
    EXPECT(count_in("fd", true) <= sockets);
    for (unsigned i = 0; i < CALLS; i++)
        pawl_free(ids[i]);
    trouble_done(&t);
}

/* Bytes in use but for SQLite, whose cache grows with its file; 0: a sanitizer's malloc does not tell. */
static size_t in_use(void)
{
    void *probe = malloc(1000);
    struct mallinfo2 info = mallinfo2();
    free(probe);
    return info.uordblks ? info.uordblks + info.hblkhd - (size_t)sqlite3_memory_used() : 0;
}

TEST(isolation, what_timed_out_and_waits_for_a_person_holds_no_memory)
{
    enum { CALLS = 300 };
    trouble t;
    char *ids[CALLS];
    size_t used[3];
    if (in_use() == 0)
        pw_test_skip("this malloc counts nothing");
    trouble_init(&t, NULL); /* a file: what is stored takes none of ours */
    t.f.options.http_timeout_ms = 20;
    t.resilience.call_retries = 0;
    t.resilience.breaker_failures = 1000000;
    trouble_open(&t);
    for (size_t round = 0; round < PW_LENGTH(used); round++) {
        char name[24];
        (void)snprintf(name, sizeof name, "a%zu", round);
        service_on(t.s, "/a", (service_answer){ .hold = true });
        deploy_call(&t, name, "/a", NULL);
        start_many(&t, name, CALLS, ids);
        for (unsigned i = 0; i < CALLS; i++) {
            idle(&t, ids[i]);
            pawl_free(ids[i]);
        }
        EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
        char expected[16];
        (void)snprintf(expected, sizeof expected, "%zu", (round + 1) * CALLS);
        EXPECT_TEXT(ask_count(&t, NULL, ".statuses.faulted"), expected);
        service_free(t.s); /* what it was asked takes memory, too */
        t.s = service_new();
        used[round] = in_use();
    }
    printf("# %zu, %zu, %zu bytes after 300, 600, 900 incidents\n", used[0], used[1], used[2]);
    EXPECT(used[2] < used[0] + 2 * CALLS * (4u << 10)); /* one that stays in memory takes more than 10 KiB */
    trouble_done(&t);
}

TEST(isolation, functions_that_timed_out_hold_no_thread)
{
    enum { CALLS = 12 };
    trouble t;
    char *ids[CALLS];
    trouble_init(&t, "memory:");
    t.f.options.activity_threads = 4;
    t.f.options.activity_timeout_ms = 1000; /* enough for who does not wait */
    t.resilience.retries = 0;
    trouble_open(&t);
    deploy(&t.f, "gated", "  - work: {call: gate, with: {}}");
    deploy(&t.f, "echo", "  - work: {call: echo, with: {n: 1}}");
    start_many(&t, "echo", 1, ids);
    finish_many(&t, 1, ids);
    unsigned threads = count_in("task", false);
    start_many(&t, "gated", CALLS, ids); /* nobody lets them go: each sees that its time is over */
    for (unsigned i = 0; i < CALLS; i++) {
        idle(&t, ids[i]);
        EXPECT_SHOW(&t, ids[i], "[.status, .error.status]", "[\"faulted\",408]");
        pawl_free(ids[i]);
    }
    EXPECT(count_in("task", false) <= threads + 4);
    start_many(&t, "echo", 8, ids); /* the threads are free for others */
    finish_many(&t, 8, ids);
    expect_statuses(&t, "echo", "{\"completed\":9}");
    trouble_done(&t);
}

static const char *ask_leased(trouble *t, const char *none, const char *expression)
{
    (void)none;
    char *list = NULL;
    EXPECT_OK(pawl_jobs(t->f.p, NULL, &list, &t->f.err), t->f.err);
    const char *said = ask(list, expression);
    pawl_free(list);
    return said;
}

TEST(isolation, a_job_that_timed_out_holds_no_lease_and_its_worker_hears_of_it)
{
    trouble t;
    trouble_init(&t, "memory:");
    t.f.options.activity_timeout_ms = 100;
    t.resilience.retries = 1;
    trouble_open(&t);
    deploy(&t.f, "pack", "  - pack: {call: pack, with: {}, metadata: {pawl: {resilience: {retry: {delay: {hours: 1},"
                         " limit: {attempt: {count: 1}}}}}}}");
    char *id = start(&t.f, "pack", NULL), *jobs = NULL;
    const char *const functions[] = { "pack" };
    const pawl_poll_options poll = {
        .struct_size = sizeof poll, .functions = functions, .function_count = 1, .wait_ms = WAIT_MS, .lease_ms = 60000
    };
    EXPECT_OK(pawl_jobs_poll(t.f.p, &poll, &jobs, &t.f.err), t.f.err);
    char token[128];
    (void)snprintf(token, sizeof token, "%s", ask(jobs, ".jobs[0].token"));
    token[strlen(token) - 1] = '\0';
    until_same(&t, ask_log, id, FAILED " | map([.attempt, .class])", "[[1,\"timeout\"]]"); /* its time is over */
    until_same(&t, ask_leased, NULL, "[.functions[]? | .leased] | add // 0", "0"); /* an attempt whose retry waits has no place */
    EXPECT_INT(pawl_job_complete(t.f.p, token + 1, "1", NULL, NULL, &t.f.err), PAWL_LOST);
    EXPECT_TEXT(pawl_reason_name(t.f.err.reason), "job-over");
    pawl_free(jobs);
    pawl_free(id);
    trouble_done(&t);
}

TEST_MAIN()
