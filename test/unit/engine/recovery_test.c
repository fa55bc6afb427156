/* recovery_test.c - an engine that is closed in the middle, and opened again; HTTP calls; commands
 * left in the inbox. */
#include <limits.h>
#include "fixture.h"
#include "http/service.h"

static const char gated[] = "  - work: {call: gate, with: {}}";

static void deploy_call(fixture *f, const char *name, const char *url)
{
    char body[512];
    (void)snprintf(body, sizeof body,
                   "  - pay: {call: http, with: {method: post, endpoint: '%s', body: {n: 1}}}",
                   url);
    deploy(f, name, body);
}

TEST(recovery, a_call_is_made_and_its_answer_goes_on)
{
    fixture f;
    service *s = service_new();
    service_on(s, "/pay",
               (service_answer){ .headers = "Content-Type: application/json\r\n",
                                 .body = "{\"paid\":true}" });
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy_call(&f, "pay", service_url(s, "/pay"));
    char *id = start(&f, "pay", NULL);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output]", "[\"completed\",{\"paid\":true}]");
    EXPECT_INT(service_requests(s), 1);
    const char *key = service_header(s, service_request_at(s, 0), "Idempotency-Key");
    EXPECT(key != NULL && strlen(key) > 10);
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
    service_free(s);
}

TEST(recovery, a_call_in_flight_is_sent_again_with_the_same_key)
{
    fixture f;
    service *s = service_new();
    service_on(s, "/pay", (service_answer){ .hold = true, .body = "lost", .times = 1 });
    service_on(s, "/pay",
               (service_answer){ .headers = "Content-Type: application/json\r\n",
                                 .body = "{\"paid\":2}" });
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy_call(&f, "pay", service_url(s, "/pay"));
    char *id = start(&f, "pay", NULL);
    service_wait_held(s, 1);
    char *text = show(&f, id);
    EXPECT_ASK(text, "[.waits[] | [.kind, .attempt, .method, (.endpoint | endswith(\"/pay\"))]]",
               "[[\"call\",1,\"POST\",true]]");
    pawl_free(text);
    fixture_close(&f);
    fixture_open(&f);
    text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output.paid, .token]", "[\"completed\",2,2]");
    EXPECT_INT(service_requests(s), 2);
    char first[128];
    (void)snprintf(first, sizeof first, "%s",
                   service_header(s, service_request_at(s, 0), "Idempotency-Key"));
    EXPECT_TEXT(service_header(s, service_request_at(s, 1), "Idempotency-Key"), first);
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
    service_free(s);
}

TEST(recovery, a_call_of_a_suspended_instance_is_sent_again_when_it_goes_on)
{
    fixture f;
    service *s = service_new();
    service_on(s, "/pay", (service_answer){ .hold = true, .times = 1 });
    service_on(s, "/pay", (service_answer){ .body = "ok" });
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy_call(&f, "pay", service_url(s, "/pay"));
    char *id = start(&f, "pay", NULL);
    service_wait_held(s, 1);
    EXPECT_OK(pawl_suspend(f.p, id, NULL, NULL, &f.err), f.err);
    fixture_close(&f);
    fixture_open(&f);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    EXPECT_INT(service_requests(s), 1);
    EXPECT_OK(pawl_continue(f.p, id, NULL, NULL, &f.err), f.err);
    char *text = finish(&f, id);
    EXPECT_ASK(text, ".status", "\"completed\"");
    EXPECT_INT(service_requests(s), 2);
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
    service_free(s);
}

/* Each is committed before the next is looked at. */
TEST(recovery, calls_whose_fate_nobody_knows_are_lost_one_after_the_other_and_not_sent_again)
{
    fixture f;
    char body[2048];
    service *s = service_new();
    service_on(s, "/pay", (service_answer){ .hold = true });
    fixture_init(&f, NULL);
    fixture_open(&f);
    size_t at = (size_t)snprintf(body, sizeof body, "  - all: {fork: {branches: [");
    for (int i = 0; i < 3; i++)
        at += (size_t)snprintf(body + at, sizeof body - at,
                               "%s{b%d: {try: [{pay: {call: http, with: {method: post, endpoint: '%s', body: {n: %d}}, "
                               "metadata: {pawl: {resilience: {onUnknownOutcome: fault}}}}}], catch: {as: e, do: [{note: "
                               "{set: {status: '${ $e.status }'}}}]}}}",
                               i ? ", " : "", i, service_url(s, "/pay"), i);
    (void)snprintf(body + at, sizeof body - at, "]}}");
    deploy(&f, "pay", body);
    char *id = start(&f, "pay", NULL);
    service_wait_held(s, 3);
    fixture_close(&f);
    fixture_open(&f);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, [.output[].status]]", "[\"completed\",[502,502,502]]");
    pawl_free(text);
    text = steps(&f, id);
    EXPECT_ASK(text, "[.steps[].event]", "[\"start\",\"call-lost\",\"call-lost\",\"call-lost\"]");
    pawl_free(text);
    EXPECT_INT(service_requests(s), 3);
    pawl_free(id);
    fixture_done(&f);
    service_free(s);
}

/* The request is in the row alone: the state of an instance has its key, and no bytes. */
TEST(recovery, a_later_attempt_sends_what_the_first_one_sent)
{
    fixture f;
    service *s = service_new();
    service_on(s, "/pay", (service_answer){ .status = 503, .times = 2 });
    service_on(s, "/pay", (service_answer){ .headers = "Content-Type: text/plain\r\n", .body = "ok" });
    fixture_init(&f, NULL);
    pawl_resilience resilience = test_retries(5);
    resilience.call_base_delay_ms = resilience.call_max_delay_ms = 60000;
    f.options.resilience = &resilience;
    fixture_clock(&f, 1000000);
    fixture_open(&f);
    deploy_call(&f, "pay", service_url(s, "/pay"));
    char *id = start(&f, "pay", NULL);
    for (unsigned attempt = 1; attempt <= 2; attempt++) {
        EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
        EXPECT_INT(service_requests(s), attempt);
        fixture_close(&f); /* overdue when it is opened again */
        fixture_clock(&f, 1000000 + attempt * 60000);
        fixture_open(&f);
    }
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output]", "[\"completed\",\"ok\"]");
    pawl_free(text);
    EXPECT_INT(service_requests(s), 3);
    char key[128];
    (void)snprintf(key, sizeof key, "%s", service_header(s, service_request_at(s, 0), "Idempotency-Key"));
    for (unsigned i = 1; i < 3; i++) {
        EXPECT_TEXT(service_header(s, service_request_at(s, i), "Idempotency-Key"), key);
        EXPECT_TEXT(service_request_at(s, i)->body, "{\"n\":1}");
    }
    pawl_free(id);
    fixture_done(&f);
    service_free(s);
}

TEST(recovery, an_answer_that_nobody_waits_for_changes_nothing)
{
    fixture f;
    service *s = service_new();
    service_on(s, "/pay", (service_answer){ .hold = true });
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy_call(&f, "pay", service_url(s, "/pay"));
    char *id = start(&f, "pay", NULL);
    service_wait_held(s, 1);
    EXPECT_OK(pawl_cancel(f.p, id, NULL, NULL, &f.err), f.err);
    service_release(s, 1);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    char *text = finish(&f, id);
    EXPECT_ASK(text, ".status", "\"cancelled\"");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
    service_free(s);
}

TEST(recovery, an_attempt_that_died_with_its_process_is_lost_and_made_again)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "gated", gated);
    char *id = start(&f, "gated", NULL);
    gate_wait_entered(&f.gate, 1);
    fixture_close(&f);
    fixture_open(&f);
    gate_wait_entered(&f.gate, 2);
    gate_open(&f.gate, 1);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output.attempt]", "[\"completed\",2]");
    EXPECT_TEXT(f.gate.keys[1], f.gate.keys[0]);
    EXPECT_INT(f.gate.attempts[1], 2);
    pawl_free(text);
    text = steps(&f, id);
    EXPECT_ASK(text, "[.steps[].event]", "[\"start\",\"activity-lost\",\"activity-result\"]");
    EXPECT_ASK(text, "[.steps[].sequence]", "[1,2,3]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

TEST(recovery, all_lost_attempts_of_a_fork_are_made_again)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "fork",
           "  - all: {fork: {branches: [{a: {call: gate, with: {}}}, {b: {call: gate, with: {}}}, "
           "{c: {call: "
           "gate, with: {}}}]}}");
    char *id = start(&f, "fork", NULL);
    gate_wait_entered(&f.gate, 3);
    fixture_close(&f);
    fixture_open(&f);
    gate_wait_entered(&f.gate, 6);
    gate_open(&f.gate, UINT_MAX);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, ([.output[].attempt] | sort)]", "[\"completed\",[2,2,2]]");
    EXPECT_INT(gate_entered(&f.gate), 6);
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

TEST(recovery, hundreds_of_instances_in_flight_all_go_on)
{
    fixture f;
    fixture_init(&f, NULL);
    f.options.activity_threads = 16;
    fixture_open(&f);
    deploy(&f, "gated", gated);
    char *ids[600];
    for (int i = 0; i < 600; i++)
        ids[i] = start(&f, "gated", NULL);
    fixture_close(&f);
    gate_open(&f.gate, UINT_MAX);
    fixture_open(&f);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS * 2, &f.err), f.err);
    for (int i = 0; i < 600; i++) {
        char *text = show(&f, ids[i]);
        EXPECT_ASK(text, "[.status, .token]", "[\"completed\",3]");
        pawl_free(text);
        pawl_free(ids[i]);
    }
    fixture_done(&f);
}

TEST(recovery, a_long_run_of_pure_tasks_is_cut_into_steps_and_can_be_cancelled)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "long",
           "  - init: {set: {n: 0}}\n"
           "  - loop: {set: {n: \"${ .n + 1 }\"}}\n"
           "  - again: {switch: [{more: {when: \"${ .n < 2500 }\", then: loop}}]}");
    deploy(&f, "endless", "  - loop: {set: {n: 1}, then: loop}");
    char *id = start(&f, "long", NULL), *endless = start(&f, "endless", NULL);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output.n, .token > 4]", "[\"completed\",2500,true]");
    pawl_free(text);
    fixture_close(&f);
    fixture_open(&f); /* it goes on, and does not keep the recovery from ending */
    EXPECT_OK(pawl_cancel(f.p, endless, NULL, NULL, &f.err), f.err);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    text = show(&f, endless);
    EXPECT_ASK(text, ".status", "\"cancelled\"");
    pawl_free(text);
    pawl_free(id);
    pawl_free(endless);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ the inbox */

static void put(fixture *f, const char *id, const char *key, const char *kind, const char *payload)
{
    const pw_inbox_row row = { .target = pw_str_of(id),
                               .key = pw_str_of(key),
                               .kind = pw_str_of(kind),
                               .payload = pw_str_of(payload),
                               .actor = PW_LIT("sql"),
                               .created_ms = 1 };
    EXPECT_OK(pw_store_inbox_put(f->p->store, &row, &f->err), f->err);
}

static void expect_inbox(fixture *f, const char *id, const char *key, uint64_t step,
                         const char *answer)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_inbox_row row;
    EXPECT_OK(pw_store_inbox_get(f->p->store, pw_str_of(id), pw_str_of(key), &row, &arena, &f->err),
              f->err);
    EXPECT_INT(row.consumed_step, step);
    EXPECT_STR(row.answer, answer);
    pw_arena_done(&arena);
}

TEST(recovery, commands_left_in_the_inbox_have_their_effect_once)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "ask", "  - ask: {call: userTask, with: {key: ok}}");
    char *id = start(&f, "ask", NULL), *other = start(&f, "ask", NULL),
         *third = start(&f, "ask", NULL);
    put(&f, id, "m1", "resume", "{\"key\":\"ok\",\"data\":{\"yes\":1}}");
    put(&f, other, "m1", "cancel", "{\"reason\":\"late\"}");
    put(&f, third, "m1", "nonsense", "{}");
    put(&f, third, "m2", "resume", "{\"key\":\"wrong\"}");
    put(&f, third, "m3", "continue", "");
    fixture_close(&f);
    fixture_open(&f);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output.yes, .output.completedBy, .token]",
               "[\"completed\",1,\"sql\",2]");
    pawl_free(text);
    text = finish(&f, other);
    EXPECT_ASK(text, "[.status, .token]", "[\"cancelled\",2]");
    pawl_free(text);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    expect_inbox(&f, id, "m1", 2, "{\"ok\":true}");
    expect_inbox(&f, other, "m1", 2, "{\"ok\":true}");
    /* what has no effect is consumed too, with the reason */
    expect_inbox(
        &f, third, "m1", 2,
        "{\"error\":{\"code\":\"invalid\",\"message\":\"'nonsense' is no command; resume, cancel, "
        "suspend, continue, retry, fail or compensate\"}}");
    expect_inbox(&f, third, "m2", 3,
                 "{\"error\":{\"code\":\"not-found\",\"message\":\"the instance waits for nothing "
                 "with the key "
                 "'wrong'; `pawl show` lists the keys\"}}");
    expect_inbox(&f, third, "m3", 4, "{\"ok\":true}");
    EXPECT_OK(pawl_resume(f.p, third, "ok", NULL, NULL, &f.err), f.err);
    text = finish(&f, third);
    EXPECT_ASK(text, "[.status, .token]", "[\"completed\",5]");
    pawl_free(text);
    pawl_free(id);
    pawl_free(other);
    pawl_free(third);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ more than fits in memory */

TEST(recovery, instances_that_left_memory_still_wake_and_answer)
{
    enum { COUNT = 5000 };
    fixture f;
    fixture_init(&f, "memory:");
    f.options.step_threads = 1; /* keeps PW_LIVE_IDLE_MAX of them */
    fixture_clock(&f, 1000000);
    fixture_open(&f);
    deploy(&f, "nap",
           "  - nap: {wait: {seconds: \"${ .s }\"}}\n  - ask: {call: userTask, with: {key: ok}}");
    static char *ids[COUNT];
    for (int i = 0; i < COUNT; i++)
        ids[i] = start(&f, "nap", i % 2 ? "{\"s\":60}" : "{\"s\":6000}");
    fixture_clock(&f, 1000000 + 60000);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    for (int i = 0; i < COUNT; i++)
        EXPECT_INT(pawl_wait(f.p, ids[i], PAWL_WAIT_SETTLED, 0, NULL, &f.err),
                   i % 2 ? PAWL_OK : PAWL_TIMEOUT);
    fixture_clock(&f, 1000000 + 6000000);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    for (int i = 0; i < COUNT; i++) {
        EXPECT_OK(pawl_resume(f.p, ids[i], "ok", NULL, NULL, &f.err), f.err);
        pawl_free(ids[i]);
    }
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    EXPECT(f.p->shards[0]->idle_count <= PW_LIVE_IDLE_MAX);
    EXPECT_INT(f.p->shards[0]->slot_count, 0); /* all have ended: nothing is left of them */
    fixture_done(&f);
}

TEST_MAIN()
