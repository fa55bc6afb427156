/* why_test.c - why an instance is where it is: for each thing that it can wait for a sentence, what moves it, who, and when. */
#include "trouble.h"
#include "engine/disk.h"

#define NOW 1800000000000u

static void begin(fixture *f)
{
    fixture_init(f, NULL);
    atomic_store(&f->now_ms, NOW);
    fixture_open(f);
}

static char *begun(fixture *f, const char *name, const char *body)
{
    deploy(f, name, body);
    char *id = start(f, name, NULL);
    EXPECT_OK(pawl_wait(f->p, id, PAWL_WAIT_IDLE, WAIT_MS, NULL, &f->err), f->err);
    return id;
}

/* What the expression gives of pawl_why, with ID in place of the id. */
static void expect_why(fixture *f, const char *id, const char *expression, const char *expected)
{
    char *text = NULL, program[512];
    (void)snprintf(program, sizeof program, "%s | tojson | split(\"%s\") | join(\"ID\") | fromjson", expression, id);
    EXPECT_OK(pawl_why(f->p, id, &text, &f->err), f->err);
    EXPECT_ASK(text, program, expected);
    pawl_free(text);
}

static void end(fixture *f, char *id)
{
    pawl_free(id);
    fixture_done(f);
}

TEST(why, a_person_is_named_with_what_to_type)
{
    fixture f;
    begin(&f);
    char *id = begun(&f, "ask", "  - ask: {call: userTask, with: {title: Approve it, assignedTo: ann}}");
    expect_why(&f, id, "[.status, .why, .moves, .by, .since, .at]",
               "[\"waiting\",\"a person is to answer 'Approve it'\",\"an answer: pawl complete ID ask-1\",\"ann\",\"2027-01-15T08:00:00.000Z\",null]");
    expect_why(&f, id, "[(.waits[] | [.task, .kind, .by]), .findings]", "[[\"/do/0/ask\",\"user-action\",\"ann\"],[]]");
    end(&f, id);
}

TEST(why, a_timer_says_when)
{
    fixture f;
    begin(&f);
    char *id = begun(&f, "rest", "  - rest: {wait: {hours: 2}}");
    expect_why(&f, id, "[.why, .moves, .at, .by]",
               "[\"it waits until 2027-01-15T10:00:00.000Z\",\"its time; earlier: pawl resume ID rest-1\",\"2027-01-15T10:00:00.000Z\",\"the clock\"]");
    end(&f, id);
}

TEST(why, who_listens_says_for_what)
{
    fixture f;
    begin(&f);
    char *id = begun(&f, "hear", "  - hear: {listen: {to: {one: {with: {type: order.paid}}}}}");
    expect_why(&f, id, ".why", "\"it listens, and no event has come that fits: {\\\"to\\\":\\\"one\\\",\\\"types\\\":[\\\"order.paid\\\"]}\"");
    end(&f, id);
}

TEST(why, a_parent_leads_to_its_child)
{
    fixture f;
    begin(&f);
    deploy(&f, "ask", "  - ask: {call: userTask, with: {title: x}}");
    deploy(&f, "parent", "  - child: {run: {workflow: {namespace: test, name: ask, version: 1.0.0}}}");
    char *id = start(&f, "parent", NULL);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    expect_why(&f, id, "[(.why | startswith(\"it waits for its child \") and endswith(\", which is waiting\")), (.by as $c | .moves == \"the child's end: pawl why \" + $c)]",
               "[true,true]");
    end(&f, id);
}

TEST(why, a_call_says_whether_it_was_sent_and_what_is_tried_again_when)
{
    fixture f;
    service *s = service_new();
    service_on(s, "/pay", (service_answer){ .hold = true, .times = 1 });
    begin(&f);
    char body[256];
    (void)snprintf(body, sizeof body, "  - pay: {call: http, with: {method: post, endpoint: '%s'}}", service_url(s, "/pay"));
    deploy(&f, "pay", body);
    char *id = start(&f, "pay", NULL);
    service_wait_held(s, 1);
    expect_why(&f, id, "[(.why | startswith(\"its call of http://127.0.0.1:\") and endswith(\" was sent, and is not answered yet\")), .moves]",
               "[true,\"the answer, or the end of its time\"]");
    pawl_free(id);
    fixture_done(&f);
    service_free(s);
}

TEST(why, a_failed_attempt_says_when_the_next_is)
{
    fixture f;
    service *s = service_new();
    service_on(s, "/pay", (service_answer){ .status = 503 });
    pawl_resilience resilience = pawl_resilience_default();
    fixture_init(&f, NULL);
    f.options.resilience = &resilience;
    atomic_store(&f.now_ms, NOW);
    fixture_open(&f);
    char body[256];
    (void)snprintf(body, sizeof body, "  - pay: {call: http, with: {method: post, endpoint: '%s'}}", service_url(s, "/pay"));
    char *id = begun(&f, "pay", body);
    expect_why(&f, id, "[(.why | startswith(\"attempt 1 has failed (\") and endswith(\"), and the next is not due yet\")), .moves, .by, (.at > \"2027-01-15T08:00:00\")]",
               "[true,\"its time; at once: pawl retry ID\",\"the clock\",true]");
    pawl_free(id);
    fixture_done(&f);
    service_free(s);
}

TEST(why, a_job_says_that_no_worker_is_there)
{
    fixture f;
    begin(&f);
    char *id = begun(&f, "charge", "  - pay: {call: charge, with: {}}");
    expect_why(&f, id, "[.why, .moves, .by]",
               "[\"its job 'charge' waits for a worker: no worker polls for 'charge'\",\"a worker that polls for 'charge'\",\"a worker\"]");
    end(&f, id);
}

TEST(why, an_incident_goes_before_what_waits_beside_it)
{
    fixture f;
    begin(&f);
    deploy(&f, "fail", "  - both:\n      fork:\n        branches:\n          - ask: {call: userTask, with: {title: x}}\n"
                       "          - work: {call: failing, with: {}}");
    char *id = start(&f, "fail", NULL);
    pawl_free(finish(&f, id));
    expect_why(&f, id, "[.status, .why, .by, (.moves | contains(\"pawl edit\") or contains(\"pawl retry\"))]",
               "[\"faulted\",\"its task /do/0/both/fork/branches/1/work has failed: no luck: it fails always; beside it 1 other\",\"a person\",true]");
    end(&f, id);
}

TEST(why, who_suspended_it_is_told)
{
    fixture f;
    begin(&f);
    char *id = begun(&f, "rest", "  - rest: {wait: {hours: 2}}");
    EXPECT_OK(pawl_suspend(f.p, id, "ann", "the shop moves", &f.err), f.err);
    expect_why(&f, id, "[.why, .moves, .by]",
               "[\"suspended by ann: the shop moves; beside it 1 other\",\"pawl continue ID\",\"a person\"]");
    end(&f, id);
}

TEST(why, what_has_ended_waits_for_nothing)
{
    fixture f;
    begin(&f);
    char *id = begun(&f, "echo", "  - one: {call: echo, with: {}}");
    expect_why(&f, id, "[.status, .why, .moves, .waits]", "[\"completed\",\"it has ended: it is completed\",\"nothing: it is over\",[]]");
    end(&f, id);
}

/* ------------------------------------------------------------------ whole answers: calls and jobs */

/* WHY|MOVES|BY|AT|SINCE of the whole, then TASK KIND of each wait, with ID and SERVICE in place of what differs. */
static const char *ask_whole(trouble *t, const char *id, const char *expression)
{
    static char answer[2048];
    char *text = NULL, program[1024];
    EXPECT_OK(pawl_why(t->f.p, id, &text, &t->f.err), t->f.err);
    (void)snprintf(program, sizeof program,
                   "([.why, .moves, .by, .at, .since, (.waits[] | .task + \" \" + .kind)] | map(. // \"-\") | join(\"|\")"
                   " | split(\"%s\") | join(\"ID\") | split(\"http://127.0.0.1:%d\") | join(\"SERVICE\")) | %s",
                   id, service_port(t->s), expression);
    (void)snprintf(answer, sizeof answer, "%s", ask(text, program));
    pawl_free(text);
    return answer;
}
#define EXPECT_WHOLE(t, id, expected) EXPECT_TEXT(ask_whole((t), (id), "."), "\"" expected "\"")
#define UNTIL_WHOLE(t, id, expected) until_same((t), ask_whole, (id), ".", "\"" expected "\"")

/* Two calls of a service that does not answer. */
static void call_twice(trouble *t, char *ids[2])
{
    trouble_open(t);
    service_on(t->s, "/pay", (service_answer){ .hold = true, .headers = "Content-Type: application/json\r\n", .body = "1" });
    deploy_call(t, "pay", "/pay", NULL);
    ids[0] = start(&t->f, "pay", NULL);
    service_wait_held(t->s, 1);
    ids[1] = start(&t->f, "pay", NULL);
}

static void end_both(trouble *t, char *ids[2])
{
    pawl_free(ids[0]);
    pawl_free(ids[1]);
    trouble_done(t);
}

TEST(why, a_call_that_is_queued_waits_for_one_before_it)
{
    trouble t;
    char *ids[2];
    trouble_init(&t, NULL);
    t.resilience.calls_at_once = 1;
    call_twice(&t, ids);
    UNTIL_WHOLE(&t, ids[1], "its call of SERVICE is queued: as many as may be are under way|a call before it that ends|SERVICE|-|"
                            "2027-01-15T08:00:00.000Z|/do/0/pay call");
    EXPECT_WHOLE(&t, ids[0], "its call of SERVICE was sent, and is not answered yet|the answer, or the end of its time|SERVICE|-|"
                             "2027-01-15T08:00:00.000Z|/do/0/pay call");
    end_both(&t, ids);
}

TEST(why, a_call_that_its_rate_holds_back_waits_for_its_turn)
{
    trouble t;
    char *ids[2];
    trouble_init(&t, NULL);
    t.resilience.calls_per_second = 0.001; /* one in a thousand seconds */
    call_twice(&t, ids);
    UNTIL_WHOLE(&t, ids[1], "its call of SERVICE is held: only so many may go in a time|its turn|the clock|2027-01-15T08:16:40.000Z|"
                            "2027-01-15T08:00:00.000Z|/do/0/pay call");
    end_both(&t, ids);
}

TEST(why, a_call_that_a_breaker_holds_says_until_when_or_who_lets_it_go)
{
    trouble t;
    trouble_init(&t, NULL);
    t.resilience.breaker_failures = t.resilience.breaker_throughput = 2;
    t.resilience.breaker_window_ms = t.resilience.breaker_break_ms = 3600000;
    t.resilience.call_retries = 100;
    t.resilience.call_base_delay_ms = t.resilience.call_max_delay_ms = 1000;
    trouble_open(&t);
    service_on(t.s, "/pay", (service_answer){ .status = 503, .headers = "Retry-After: 1\r\n" }); /* chance leaves nothing of the second */
    deploy_call(&t, "pay", "/pay", NULL);
    char *first = start(&t.f, "pay", NULL), name[64];
    idle(&t, first);
    forward(&t, 1000); /* the next attempt, which opens it */
    until_breakers(&t, "[.breakers[] | [.state, .failed]]", "[[\"open\",2]]");
    char *id = start(&t.f, "pay", NULL);
    UNTIL_WHOLE(&t, id, "its call of SERVICE is held: its breaker is open|a call that succeeds, which is sent to try; before: pawl breaker "
                        "auto SERVICE|SERVICE|2027-01-15T09:00:01.000Z|2027-01-15T08:00:01.000Z|/do/0/pay call");
    (void)snprintf(name, sizeof name, "http://127.0.0.1:%d", service_port(t.s));
    EXPECT_OK(pawl_breaker_force(t.f.p, name, "open", "they move house", NULL, NULL, &t.f.err), t.f.err);
    UNTIL_WHOLE(&t, id, "its call of SERVICE is held: its breaker is forced open|pawl breaker auto SERVICE|an operator|-|"
                        "2027-01-15T08:00:01.000Z|/do/0/pay call");
    pawl_free(first);
    pawl_free(id);
    trouble_done(&t);
}

TEST(why, a_job_names_the_worker_that_is_at_it)
{
    trouble t;
    char *text = NULL;
    static const char *const functions[] = { "charge" };
    trouble_init(&t, NULL);
    trouble_open(&t);
    deploy(&t.f, "charge", "  - pay: {call: charge, with: {}}");
    char *id = start(&t.f, "charge", NULL);
    const pawl_poll_options poll = { .struct_size = sizeof poll, .functions = functions, .function_count = 1, .wait_ms = WAIT_MS,
                                     .lease_ms = 60000, .worker = "w1" };
    EXPECT_OK(pawl_jobs_poll(t.f.p, &poll, &text, &t.f.err), t.f.err);
    pawl_free(text);
    EXPECT_TEXT(ask_whole(&t, id, "split(\"|\") | del(.[3])"),
                "[\"worker 'w1' is at its job 'charge'\",\"the worker's answer; without a sign of it the job is given to another when its lease"
                " ends\",\"w1\",\"2027-01-15T08:00:00.000Z\",\"/do/0/pay activity\"]");
    EXPECT_TEXT(ask_whole(&t, id, "split(\"|\") | .[3] | . > \"2027-01-15T08:00:00\" and . <= \"2027-01-15T08:01:00.000Z\""), "true");
    pawl_free(id);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ whole answers: the store holds all back */

TEST(why, a_full_disk_and_a_store_that_takes_nothing_go_before_all_else)
{
    trouble t;
    trouble_init(&t, NULL);
    t.f.options.disk_low = 100 << 20;
    t.f.options.disk_full = 50 << 20;
    trouble_open(&t);
    deploy(&t.f, "rest", "  - rest: {wait: {hours: 2}}");
    char *id = start(&t.f, "rest", NULL);
    idle(&t, id);
    static const struct {
        uint64_t mib;
        const char *expected;
    } cases[] = {
        { 49, "\"the disk of the store is full, so everything pauses|it goes on by itself when there is space; pawl cleanup deletes what is "
              "old|an operator|-|2027-01-15T08:00:00.000Z|/do/0/rest timer\"" },
        { 200, "\"it waits until 2027-01-15T10:00:00.000Z|its time; earlier: pawl resume ID rest-1|the clock|2027-01-15T10:00:00.000Z|"
               "2027-01-15T08:00:00.000Z|/do/0/rest timer\"" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pw_disk_pretend(t.f.p->disk, cases[i].mib << 20);
        EXPECT_OK(pw_disk_look(t.f.p->disk, pw_monotonic_ns() + WAIT_MS * UINT64_C(1000000), &t.f.err), t.f.err);
        EXPECT_TEXT(ask_whole(&t, id, "."), cases[i].expected);
    }
    (void)pthread_mutex_lock(&t.f.p->lock); /* as the committer tells it */
    (void)pw_fail(&t.f.p->health, PAWL_IO, "the disk is away");
    atomic_store(&t.f.p->degraded, true);
    (void)pthread_mutex_unlock(&t.f.p->lock);
    EXPECT_WHOLE(&t, id, "the store takes nothing, so nothing moves: the disk is away|it goes on by itself when that is set right|an operator|-|"
                         "2027-01-15T08:00:00.000Z|/do/0/rest timer");
    atomic_store(&t.f.p->degraded, false);
    pawl_free(id);
    trouble_done(&t);
}

TEST(why, one_that_is_not_there_is_refused)
{
    fixture f;
    char *text = NULL;
    begin(&f);
    char *id = begun(&f, "rest", "  - rest: {wait: {hours: 2}}");
    EXPECT_INT(pawl_why(f.p, "00000000000000000000000000", &text, &f.err), PAWL_NOT_FOUND);
    EXPECT_INT(f.err.reason, PAWL_REASON_NO_INSTANCE);
    EXPECT_INT(pawl_why(f.p, id, NULL, &f.err), PAWL_INVALID);
    end(&f, id);
}

TEST_MAIN()
