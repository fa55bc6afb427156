/* why_test.c - why an instance is where it is: for each thing that it can wait for a sentence, what moves it, who, and when. */
#include <sqlite3.h>
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

TEST(why, a_job_says_that_no_worker_is_there)
{
    fixture f;
    begin(&f);
    char *id = begun(&f, "charge", "  - pay: {call: charge, with: {}}");
    expect_why(&f, id, "[.why, .moves, .by]",
               "[\"its job 'charge' waits for a worker: no worker polls for 'charge'\",\"a worker that polls for 'charge'\",\"a worker\"]");
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

/* WHY|MOVES|BY|AT|SINCE of the whole, then TASK KIND of each wait, with ID, SERVICE, CHILD and STORE in place of what differs. */
static const char *ask_whole(trouble *t, const char *id, const char *expression)
{
    static char answer[2048];
    char *text = NULL, program[1024];
    EXPECT_OK(pawl_why(t->f.p, id, &text, &t->f.err), t->f.err);
    (void)snprintf(program, sizeof program,
                   "((.waits[0] | select(.kind == \"child\") | .by) // \"no child\") as $child"
                   " | ([.why, .moves, .by, .at, .since, (.waits[] | .task + \" \" + .kind)] | map(. // \"-\") | join(\"|\")"
                   " | split(\"%s\") | join(\"ID\") | split($child) | join(\"CHILD\") | split(\"http://127.0.0.1:%d\") | join(\"SERVICE\")"
                   " | split(\"%s\") | join(\"STORE\")) | %s",
                   id, service_port(t->s), t->f.store, expression);
    (void)snprintf(answer, sizeof answer, "%s", ask(text, program));
    pawl_free(text);
    return answer;
}
#define EXPECT_WHOLE(t, id, expected) expect_whole((t), (id), (expected))
static void expect_whole(trouble *t, const char *id, const char *expected)
{
    char quoted[2048];
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", expected);
    EXPECT_TEXT(ask_whole(t, id, "."), quoted);
}
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

/* ------------------------------------------------------------------ whole answers: people, times, events, children */

static void open_on(trouble *t)
{
    trouble_init(t, NULL);
    trouble_open(t);
}

static char *begun_on(trouble *t, const char *name, const char *body)
{
    deploy(&t->f, name, body);
    char *id = start(&t->f, name, NULL);
    idle(t, id);
    return id;
}

static void end_one(trouble *t, char *id)
{
    pawl_free(id);
    trouble_done(t);
}

TEST(why, a_person_is_named_with_what_to_type)
{
    static const struct {
        const char *with, *expected;
    } cases[] = {
        { "title: Approve it, assignedTo: ann", "a person is to answer 'Approve it'|an answer: pawl complete ID ask-1; by "
                                                "another: pawl delegate ID ask-1 --to NAME|ann|-|2027-01-15T08:00:00.000Z|"
                                                "/do/0/ask user-action" },
        { "title: Approve it, candidates: {users: [ada, bob], groups: [sales, shop]}", "a person is to answer 'Approve it'|an answer: pawl complete "
                                                                                       "ID ask-1|ada, bob, group sales, group shop|-|"
                                                                                       "2027-01-15T08:00:00.000Z|/do/0/ask user-action" },
        { "title: Approve it, candidates: {groups: [sales]}", "a person is to answer 'Approve it'|an answer: pawl complete ID "
                                                              "ask-1|group sales|-|2027-01-15T08:00:00.000Z|/do/0/ask "
                                                              "user-action" },
        { "key: me", "a person is to answer 'a task'|an answer: pawl complete ID me|anybody|-|2027-01-15T08:00:00.000Z|"
                     "/do/0/ask user-action" },
    };
    trouble t;
    open_on(&t);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        char name[16], body[256];
        (void)snprintf(name, sizeof name, "ask%zu", i);
        (void)snprintf(body, sizeof body, "  - ask: {call: userTask, with: {%s}}", cases[i].with);
        char *id = begun_on(&t, name, body);
        EXPECT_WHOLE(&t, id, cases[i].expected);
        pawl_free(id);
    }
    trouble_done(&t);
}

TEST(why, a_person_who_is_late_and_a_claim_that_is_over_are_told)
{
    trouble t;
    open_on(&t);
    char *id = begun_on(&t, "ask", "  - ask: {call: userTask, with: {title: Approve it, due: PT1H, candidates: {groups: [sales]}}}");
    EXPECT_WHOLE(&t, id, "a person is to answer 'Approve it', due at 2027-01-15T09:00:00.000Z|an answer: pawl complete ID "
                         "ask-1|group sales|-|2027-01-15T08:00:00.000Z|/do/0/ask user-action");
    const pawl_bookmark_options claim = { .struct_size = sizeof claim, .id = id, .key = "ask-1", .action = PAWL_BOOKMARK_CLAIM, .lease_ms = 7200000 };
    const pawl_request ada = { .struct_size = sizeof ada, .actor = "ada" };
    EXPECT_OK(pawl_bookmark_change(t.f.p, &claim, &ada, NULL, &t.f.err), t.f.err);
    EXPECT_WHOLE(&t, id, "a person is to answer 'Approve it', and it is claimed by ada, due at 2027-01-15T09:00:00.000Z|an "
                         "answer: pawl complete ID ask-1; for others: pawl release ID ask-1|ada|-|2027-01-15T08:00:00.000Z|"
                         "/do/0/ask user-action");
    forward(&t, 3600000);
    idle(&t, id);
    EXPECT_WHOLE(&t, id, "a person is to answer 'Approve it', and it is claimed by ada, overdue since 2027-01-15T09:00:00.000Z|"
                         "an answer: pawl complete ID ask-1; for others: pawl release ID ask-1|ada|-|2027-01-15T08:00:00.000Z|"
                         "/do/0/ask user-action");
    forward(&t, 3600000);
    EXPECT_WHOLE(&t, id, "a person is to answer 'Approve it', overdue since 2027-01-15T09:00:00.000Z|an answer: pawl complete "
                         "ID ask-1|group sales|-|2027-01-15T08:00:00.000Z|/do/0/ask user-action");
    end_one(&t, id);
}

TEST(why, a_timer_says_when_and_what_is_to_be_typed_ends_it)
{
    trouble t;
    open_on(&t);
    char *id = begun_on(&t, "rest", "  - rest: {wait: {hours: 2}}");
    EXPECT_WHOLE(&t, id, "it waits until 2027-01-15T10:00:00.000Z|its time; earlier: pawl resume ID --key rest-1|the clock|"
                         "2027-01-15T10:00:00.000Z|2027-01-15T08:00:00.000Z|/do/0/rest timer");
    EXPECT_OK(pawl_resume(t.f.p, id, "rest-1", NULL, NULL, &t.f.err), t.f.err);
    pawl_free(finish(&t.f, id));
    end_one(&t, id);
}

TEST(why, who_listens_says_for_what)
{
    static const struct {
        const char *to, *expected;
    } cases[] = {
        { "one: {with: {type: order.paid}}", "it listens for an event of type order.paid, and none that fits has come|an event "
                                             "that fits: pawl send order.paid --data JSON, or POST /v1/events|who sends it|-|"
                                             "2027-01-15T08:00:00.000Z|/do/0/hear external-message" },
        { "one: {with: {type: order.paid}, correlate: {order: {from: .data.order, expect: '1002'}}}", "it listens for an event of type order.paid, with "
                                                                                                      "{\\\"order\\\":\\\"1002\\\"}, and none that fits has come|"
                                                                                                      "an event that fits: pawl send order.paid --data JSON, or "
                                                                                                      "POST /v1/events|who sends it|-|2027-01-15T08:00:00.000Z|"
                                                                                                      "/do/0/hear external-message" },
        { "any: [{with: {type: order.paid}}, {with: {type: order.gone}}]", "it listens for any event of the types order.paid, "
                                                                           "order.gone, and none that fits has come|an event that fits: "
                                                                           "pawl send TYPE --data JSON, or POST /v1/events|who sends it|"
                                                                           "-|2027-01-15T08:00:00.000Z|/do/0/hear external-message" },
        { "one: {with: {source: /shop}}", "it listens for an event of any type, and none that fits has come|an event that "
                                          "fits: pawl send TYPE --data JSON, or POST /v1/events|who sends it|-|"
                                          "2027-01-15T08:00:00.000Z|/do/0/hear external-message" },
    };
    trouble t;
    open_on(&t);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        char name[16], body[256];
        (void)snprintf(name, sizeof name, "hear%zu", i);
        (void)snprintf(body, sizeof body, "  - hear: {listen: {to: {%s}}}", cases[i].to);
        char *id = begun_on(&t, name, body);
        EXPECT_WHOLE(&t, id, cases[i].expected);
        pawl_free(id);
    }
    trouble_done(&t);
}

TEST(why, who_listens_for_several_says_how_many_have_come)
{
    trouble t;
    open_on(&t);
    char *id = begun_on(&t, "hear", "  - hear: {listen: {to: {all: [{with: {type: order.paid}}, {with: {type: order.sent}}]}}}");
    EXPECT_OK(pawl_publish(t.f.p, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"order.paid\"}", NULL, NULL, &t.f.err),
              t.f.err);
    EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
    EXPECT_WHOLE(&t, id, "it listens for an event of each type: order.paid, order.sent, and 1 of them has come|an event that "
                         "fits: pawl send TYPE --data JSON, or POST /v1/events|who sends it|-|2027-01-15T08:00:00.000Z|"
                         "/do/0/hear external-message");
    end_one(&t, id);
}

TEST(why, a_parent_leads_to_its_child)
{
    trouble t;
    open_on(&t);
    deploy(&t.f, "ask", "  - ask: {call: userTask, with: {title: x}}");
    deploy(&t.f, "parent", "  - child: {run: {workflow: {namespace: test, name: ask, version: 1.0.0}}}");
    char *id = start(&t.f, "parent", NULL);
    EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
    EXPECT_WHOLE(&t, id, "it waits for its child CHILD of test/ask, which is waiting|the child's end: pawl why CHILD|CHILD|-|"
                         "2027-01-15T08:00:00.000Z|/do/0/child child");
    end_one(&t, id);
}

TEST(why, a_start_later_says_when)
{
    trouble t;
    char *id = NULL;
    open_on(&t);
    deploy(&t.f, "rest", "  - rest: {wait: {hours: 2}}");
    const pawl_start_options later = { .struct_size = sizeof later, .name = "rest", .start_at_ms = TIME0 + 3600000 };
    EXPECT_OK(pawl_start(t.f.p, &later, &id, NULL, &t.f.err), t.f.err);
    EXPECT_WHOLE(&t, id, "it is to begin at 2027-01-15T09:00:00.000Z|its time; to end it before: pawl cancel ID|the clock|"
                         "2027-01-15T09:00:00.000Z|2027-01-15T08:00:00.000Z| start");
    end_one(&t, id);
}

TEST(why, a_schedule_says_what_is_next_and_what_runs)
{
    static const struct {
        const char *schedule, *first, *later; /* a minute later, with what it started */
    } cases[] = {
        { "{every: {minutes: 1}}", "it is a schedule (every {\\\"minutes\\\":1}), and its start 1 is due at "
                                   "2027-01-15T08:01:00.000Z|its time; one more now: pawl start test/tick0; none meanwhile: "
                                   "pawl suspend ID|the clock|2027-01-15T08:01:00.000Z|2027-01-15T08:00:00.000Z|/schedule timer", "it is a schedule (every {\\\"minutes\\\":1}), and its start "
                                                                                                                                  "2 is due at 2027-01-15T08:02:00.000Z|its time; one more "
                                                                                                                                  "now: pawl start test/tick0; none meanwhile: pawl suspend ID|"
                                                                                                                                  "the clock|2027-01-15T08:02:00.000Z|2027-01-15T08:00:00.000Z|"
                                                                                                                                  "/schedule timer" },
        { "{cron: '0 9 * * *'}", "it is a schedule (cron 0 9 * * *), and its start 1 is due at 2027-01-15T09:00:00.000Z|its "
                                 "time; one more now: pawl start test/tick1; none meanwhile: pawl suspend ID|the clock|"
                                 "2027-01-15T09:00:00.000Z|2027-01-15T08:00:00.000Z|/schedule timer", "it is a schedule (cron 0 9 * * *), and its start 1 is due "
                                                                                                      "at 2027-01-15T09:00:00.000Z|its time; one more now: pawl "
                                                                                                      "start test/tick1; none meanwhile: pawl suspend ID|the clock|"
                                                                                                      "2027-01-15T09:00:00.000Z|2027-01-15T08:00:00.000Z|/schedule "
                                                                                                      "timer" },
        { "{after: PT1M}", "it is a schedule (after PT1M), and its start 1 is due at 2027-01-15T08:01:00.000Z|its time; one "
                           "more now: pawl start test/tick2; none meanwhile: pawl suspend ID|the clock|"
                           "2027-01-15T08:01:00.000Z|2027-01-15T08:00:00.000Z|/schedule timer", "it is a schedule (after PT1M), and waits for the end of "
                                                                                                "what it has started: CHILD, which is waiting|the child's "
                                                                                                "end: pawl why CHILD|CHILD|-|2027-01-15T08:00:00.000Z|"
                                                                                                "/schedule child" },
        { "{on: {one: {with: {type: order.paid}}}}", "it is a schedule, which listens for an event of type order.paid, and "
                                                     "none that fits has come|an event that fits: pawl send order.paid --data "
                                                     "JSON, or POST /v1/events; one more now: pawl start test/tick3; none "
                                                     "meanwhile: pawl suspend ID|who sends it|-|2027-01-15T08:00:00.000Z|"
                                                     "/schedule external-message", "it is a schedule, which listens for an event of type "
                                                                                   "order.paid, and none that fits has come|an event that fits: "
                                                                                   "pawl send order.paid --data JSON, or POST /v1/events; one "
                                                                                   "more now: pawl start test/tick3; none meanwhile: pawl "
                                                                                   "suspend ID|who sends it|-|2027-01-15T08:00:00.000Z|"
                                                                                   "/schedule external-message" },
    };
    trouble t;
    open_on(&t);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        char name[16], text[256], where[64];
        (void)snprintf(name, sizeof name, "tick%zu", i);
        (void)snprintf(text, sizeof text, "schedule: %s\ndo: [{ask: {call: userTask, with: {title: x}}}]", cases[i].schedule);
        fixture_clock(&t.f, TIME0);
        deploy_text(&t, name, text);
        EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
        (void)snprintf(where, sizeof where, "SELECT id FROM instance WHERE schedule = 1 AND name = 'tick%zu'", i);
        char *id = pw_strdup(pw_str_of(ask_file(&t, where)));
        EXPECT_WHOLE(&t, id, cases[i].first);
        forward(&t, 60000);
        EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
        EXPECT_WHOLE(&t, id, cases[i].later);
        pw_free(id);
    }
    trouble_done(&t);
}

/* ------------------------------------------------------------------ whole answers: what has failed */

TEST(why, a_failed_attempt_says_when_the_next_is)
{
    trouble t;
    open_on(&t);
    service_on(t.s, "/pay", (service_answer){ .status = 503, .headers = "Retry-After: 5\r\n" });
    deploy_call(&t, "pay", "/pay", NULL);
    char *id = start(&t.f, "pay", NULL);
    idle(&t, id);
    EXPECT_WHOLE(&t, id, "attempt 1 has failed (Service Unavailable: the service answered 503), and the next is not due yet|"
                         "its time; at once: pawl retry ID|the clock|2027-01-15T08:00:05.000Z|2027-01-15T08:00:00.000Z|"
                         "/do/0/pay call");
    end_one(&t, id);
}

TEST(why, a_try_that_is_repeated_says_when_and_what_is_to_be_typed_does_so)
{
    trouble t;
    open_on(&t);
    char *id = begun_on(&t, "again", "  - all:\n      try: [{work: {call: failing, with: {}}}]\n"
                                     "      catch: {retry: {delay: {seconds: 30}, limit: {attempt: {count: 5}}}}");
    EXPECT_WHOLE(&t, id, "what it tried has failed (no luck: it fails always), and the next try is not due yet|its time; at "
                         "once: pawl resume ID --key all-1-retry-1|the clock|2027-01-15T08:00:30.000Z|2027-01-15T08:00:00.000Z|"
                         "/do/0/all retry");
    EXPECT_OK(pawl_resume(t.f.p, id, "all-1-retry-1", NULL, NULL, &t.f.err), t.f.err);
    idle(&t, id);
    EXPECT_WHOLE(&t, id, "what it tried has failed (no luck: it fails always), and the next try is not due yet|its time; at "
                         "once: pawl resume ID --key all-1-retry-2|the clock|2027-01-15T08:00:30.000Z|2027-01-15T08:00:00.000Z|"
                         "/do/0/all retry");
    end_one(&t, id);
}

TEST(why, an_incident_goes_before_what_waits_beside_it)
{
    trouble t;
    open_on(&t);
    deploy(&t.f, "fail", "  - both:\n      fork:\n        branches:\n          - ask: {call: userTask, with: {title: x}}\n"
                         "          - work: {call: failing, with: {}}\n      timeout: {after: PT1H}");
    char *id = start(&t.f, "fail", NULL);
    pawl_free(finish(&t.f, id));
    EXPECT_WHOLE(&t, id, "its task /do/0/both/fork/branches/1/work has failed: no luck: it fails always; beside it 1 other|"
                         "Review function 'failing': task 'work' (/do/0/both/fork/branches/1/work) called it; a definition, "
                         "input or argument cannot work (status 422: it fails always). 1 attempt was made. Check the "
                         "definition, and the input and arguments: as they are, it fails again. `pawl incident ID` shows all "
                         "of it; `pawl retry ID` tries it again when it is mended, `pawl fail ID` gives it up, `pawl cancel "
                         "ID` cancels the instance.|a person|-|2027-01-15T08:00:00.000Z|/do/0/both/fork/branches/0/ask "
                         "user-action|/do/0/both/fork/branches/1/work incident");
    end_one(&t, id);
}

TEST(why, who_suspended_it_is_told)
{
    trouble t;
    open_on(&t);
    char *id = begun_on(&t, "rest", "  - rest: {wait: {hours: 2}, timeout: {after: PT1H}}");
    forward(&t, 1000);
    EXPECT_OK(pawl_suspend(t.f.p, id, "ann", "the shop moves", &t.f.err), t.f.err);
    EXPECT_WHOLE(&t, id, "suspended by ann: the shop moves; beside it 1 other|pawl continue ID|a person|-|"
                         "2027-01-15T08:00:01.000Z| continue|/do/0/rest timer");
    end_one(&t, id);
}

/* As no engine would write it: the statement has ID where the id is. */
static void by_hand(trouble *t, const char *sql, const char *id)
{
    char text[256];
    sqlite3 *db = NULL;
    const char *at = strstr(sql, "ID");
    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - sql), sql, id, at + 2);
    EXPECT_INT(sqlite3_open(t->f.store, &db), SQLITE_OK);
    EXPECT_INT(sqlite3_busy_timeout(db, WAIT_MS), SQLITE_OK);
    EXPECT_INT(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
}

/* Begins one that rests, does that to its store, and opens it again. */
static char *damaged(trouble *t, const char *sql)
{
    open_on(t);
    char *id = begun_on(t, "rest", "  - rest: {wait: {hours: 2}}");
    fixture_close(&t->f);
    by_hand(t, sql, id);
    fixture_open(&t->f);
    return id;
}

TEST(why, a_state_that_is_damaged_leads_to_a_backup_or_to_a_fork)
{
    trouble t;
    char *id = damaged(&t, "UPDATE instance SET state = 'x' WHERE id = 'ID'"), *forked = NULL;
    EXPECT_WHOLE(&t, id, "it should move, and cannot: stored state: it is not JSON; restore the store from a backup|a whole "
                         "store: pawl check, pawl restore FILE; else another in its place: pawl fork ID --step 1|an operator|-|"
                         "-| trouble");
    const pawl_fork_options options = { .struct_size = sizeof options, .id = id, .step = 1 };
    EXPECT_OK(pawl_fork(t.f.p, &options, NULL, &forked, &t.f.err), t.f.err);
    char *other = pw_strdup((pw_str){ ask(forked, ".id") + 1, PW_ID_LENGTH });
    idle(&t, other);
    EXPECT_WHOLE(&t, other, "it waits until 2027-01-15T10:00:00.000Z|its time; earlier: pawl resume ID --key rest-2|the clock|"
                            "2027-01-15T10:00:00.000Z|2027-01-15T08:00:00.000Z|/do/0/rest timer");
    pw_free(other);
    pawl_free(forked);
    end_one(&t, id);
}

TEST(why, a_state_of_a_later_release_needs_that_release)
{
    trouble t;
    char *id = damaged(&t, "UPDATE instance SET state = replace(state, '{\"f\":', '{\"f\":99') WHERE id = 'ID'");
    EXPECT_WHOLE(&t, id, "it should move, and cannot: stored state has format 995, this program knows 5: use a newer program|"
                         "the release of pawl that has written it, or a later one|an operator|-|-| trouble");
    end_one(&t, id);
}

TEST(why, an_instance_without_its_definition_goes_on_once_that_is_published)
{
    static const char text[] = "document: {dsl: 1.0.0, namespace: test, name: rest, version: 9.9.9}\ndo: [{rest: {wait: {hours: 2}}}]";
    trouble t;
    char *id = damaged(&t, "UPDATE instance SET version = '9.9.9' WHERE id = 'ID'");
    EXPECT_WHOLE(&t, id, "it should move, and cannot: the definition 'test/rest' version '9.9.9' of the instance is not in the "
                         "store|its definition, published again: pawl deploy FILE; or a backup of the store: pawl restore FILE|"
                         "an operator|-|-| trouble");
    EXPECT_OK(pawl_deploy(t.f.p, text, sizeof text - 1, NULL, NULL, NULL, &t.f.err), t.f.err);
    EXPECT_WHOLE(&t, id, "it waits until 2027-01-15T10:00:00.000Z|its time; earlier: pawl resume ID --key rest-1|the clock|"
                         "2027-01-15T10:00:00.000Z|2027-01-15T08:00:00.000Z|/do/0/rest timer");
    forward(&t, 7200000);
    pawl_free(finish(&t.f, id));
    end_one(&t, id);
}

/* ------------------------------------------------------------------ whole answers: a time is over first */

TEST(why, a_timeout_that_comes_first_is_the_time_and_whose_it_is_is_told)
{
    static const struct {
        const char *before, *body, *expected;
    } cases[] = {
        { "", "  - rest: {wait: {hours: 2}, timeout: {after: PT1H}}", "it waits until 2027-01-15T10:00:00.000Z|its time; earlier: "
                                                                      "pawl resume ID --key rest-1; else it times out|the clock|"
                                                                      "2027-01-15T09:00:00.000Z|2027-01-15T08:00:00.000Z|"
                                                                      "/do/0/rest timer" },
        { "", "  - rest: {wait: {hours: 1}, timeout: {after: PT2H}}", "it waits until 2027-01-15T09:00:00.000Z|its time; earlier: "
                                                                      "pawl resume ID --key rest-1|the clock|"
                                                                      "2027-01-15T09:00:00.000Z|2027-01-15T08:00:00.000Z|"
                                                                      "/do/0/rest timer" },
        { "", "  - ask: {call: userTask, with: {title: x}, timeout: {after: PT1H}}", "a person is to answer 'x'|an answer: pawl complete ID "
                                                                                     "ask-1; else it times out|anybody|2027-01-15T09:00:00.000Z|"
                                                                                     "2027-01-15T08:00:00.000Z|/do/0/ask user-action" },
        { "", "  - block:\n      do: [{ask: {call: userTask, with: {title: x}, timeout: {after: PT2H}}}]\n      timeout: {after: PT1H}", "a person is to answer 'x'|an answer: pawl complete ID "
                                                                                                                                         "ask-2; else /do/0/block times out|anybody|"
                                                                                                                                         "2027-01-15T09:00:00.000Z|2027-01-15T08:00:00.000Z|"
                                                                                                                                         "/do/0/block/do/0/ask user-action" },
        { "timeout: {after: PT30M}\n", "  - block:\n      do: [{hear: {listen: {to: {one: {with: {type: a}}}}}}]\n      timeout: {after: PT1H}", "it listens for an event of type a, and none that fits has "
                                                                                                                                                 "come|an event that fits: pawl send a --data JSON, or POST "
                                                                                                                                                 "/v1/events; else the workflow times out|who sends it|"
                                                                                                                                                 "2027-01-15T08:30:00.000Z|2027-01-15T08:00:00.000Z|"
                                                                                                                                                 "/do/0/block/do/0/hear external-message" },
        { "", "  - all:\n      try: [{ask: {call: userTask, with: {title: x}}}]\n      catch: {retry: {limit: {attempt: {duration: PT20M}}}}", "a person is to answer 'x'|an answer: pawl complete ID "
                                                                                                                                               "ask-2; else /do/0/all times out|anybody|"
                                                                                                                                               "2027-01-15T08:20:00.000Z|2027-01-15T08:00:00.000Z|"
                                                                                                                                               "/do/0/all/try/0/ask user-action" },
        { "timeout: {after: PT30M}\n", "  - each:\n      fork:\n        branches:\n          - a: {wait: PT1H}\n          - b: {wait: PT1H}\n"
          "          - c: {wait: PT1H}\n          - d: {wait: PT1H}\n          - e: {wait: PT1H}\n          - f: {wait: PT1H}\n"
          "          - g: {wait: PT1H}\n          - h: {wait: PT1H}", "it waits until 2027-01-15T09:00:00.000Z; beside it 7 others|"
                                                                      "its time; earlier: pawl resume ID --key a-2; else the "
                                                                      "workflow times out|the clock|2027-01-15T08:30:00.000Z|"
                                                                      "2027-01-15T08:00:00.000Z|/do/0/each/fork/branches/0/a timer|"
                                                                      "/do/0/each/fork/branches/1/b timer|"
                                                                      "/do/0/each/fork/branches/2/c timer|"
                                                                      "/do/0/each/fork/branches/3/d timer|"
                                                                      "/do/0/each/fork/branches/4/e timer|"
                                                                      "/do/0/each/fork/branches/5/f timer|"
                                                                      "/do/0/each/fork/branches/6/g timer|"
                                                                      "/do/0/each/fork/branches/7/h timer" },
    };
    trouble t;
    open_on(&t);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        char name[16], text[1024];
        (void)snprintf(name, sizeof name, "late%zu", i);
        (void)snprintf(text, sizeof text, "%sdo:\n%s", cases[i].before, cases[i].body);
        deploy_text(&t, name, text);
        char *id = start(&t.f, name, NULL);
        idle(&t, id);
        EXPECT_WHOLE(&t, id, cases[i].expected);
        pawl_free(id);
    }
    trouble_done(&t);
}

/* ------------------------------------------------------------------ whole answers: who only reads */

/* The same, of one that only reads the store. */
static void expect_read(trouble *t, const char *id, const char *expected)
{
    pawl *own = t->f.p;
    pawl_options options = t->f.options;
    options.mode = PAWL_READ;
    EXPECT_OK(pawl_open(&t->f.p, &options, &t->f.err), t->f.err);
    expect_whole(t, id, expected);
    pawl_close(t->f.p);
    t->f.p = own;
}

TEST(why, who_reads_beside_an_owner_does_not_know_whether_a_call_was_sent)
{
    trouble t;
    char *ids[2];
    trouble_init(&t, NULL);
    call_twice(&t, ids);
    service_wait_held(t.s, 2);
    expect_read(&t, ids[0], "its call of SERVICE is committed; whether it was sent is known to the owner of the store|the "
                            "answer, or the end of its time|SERVICE|-|2027-01-15T08:00:00.000Z|/do/0/pay call");
    char *job = begun_on(&t, "charge", "  - pay: {call: charge, with: {}}");
    expect_read(&t, job, "'charge' is being done, or waits for a worker: the owner of the store knows|its result, or the end "
                         "of its time|charge|-|2027-01-15T08:00:00.000Z|/do/0/pay activity");
    pawl_free(job);
    end_both(&t, ids);
}

TEST(why, where_nobody_drives_the_store_that_is_told_with_what_to_type)
{
    static const struct {
        const char *body, *expected;
    } cases[] = {
        { "  - rest: {wait: {hours: 2}}", "it waits until 2027-01-15T10:00:00.000Z; and nobody drives the store|pawl serve "
                                          "--db STORE, and then its time; earlier: pawl resume ID --key rest-1|an operator|-|"
                                          "2027-01-15T08:00:00.000Z|/do/0/rest timer" },
        { "  - ask: {call: userTask, with: {title: x, assignedTo: ann}}", "a person is to answer 'x'|an answer: pawl complete ID "
                                                                          "ask-1; by another: pawl delegate ID ask-1 --to NAME|ann|-|"
                                                                          "2027-01-15T08:00:00.000Z|/do/0/ask user-action" },
        { "  - pay: {call: charge, with: {}}", "'charge' is to be done; and nobody drives the store|pawl serve --db STORE, and "
                                               "then its result, or the end of its time|an operator|-|2027-01-15T08:00:00.000Z|"
                                               "/do/0/pay activity" },
        { "  - block:\n      do: [{ask: {call: userTask, with: {title: x}}}]\n      timeout: {after: PT1H}", "a person is to answer 'x'|an answer: pawl complete ID ask-2|"
                                                                                                             "anybody|-|2027-01-15T08:00:00.000Z|/do/0/block/do/0/ask "
                                                                                                             "user-action" },
    };
    trouble t;
    char *calls[2];
    trouble_init(&t, NULL);
    call_twice(&t, calls);
    char *all[PW_LENGTH(cases)];
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "w%zu", i);
        all[i] = begun_on(&t, name, cases[i].body);
    }
    fixture_close(&t.f);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        expect_read(&t, all[i], cases[i].expected);
        pawl_free(all[i]);
    }
    expect_read(&t, calls[0], "its call of SERVICE is committed, and may have been sent; and nobody drives the store|pawl "
                              "serve --db STORE, and then the answer, or the end of its time|an operator|-|"
                              "2027-01-15T08:00:00.000Z|/do/0/pay call");
    fixture_open(&t.f);
    end_both(&t, calls);
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
        { 200, "\"it waits until 2027-01-15T10:00:00.000Z|its time; earlier: pawl resume ID --key rest-1|the clock|2027-01-15T10:00:00.000Z|"
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
