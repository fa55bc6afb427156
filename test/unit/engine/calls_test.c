/* calls_test.c - the suite "two-phase external calls": an intent is committed before a byte is sent, no transaction is open
 * while the call runs, its outcome is committed once, and what nobody knows is said to be unknown. What a killed process
 * leaves is in test/cli/resilience_calls.py. */
#include <limits.h>
#include <sqlite3.h>
#include "trouble.h"

static const char json[] = "Content-Type: application/json\r\n";

static service_answer paid(bool hold, unsigned times)
{
    return (service_answer){ .headers = json, .body = "{\"paid\":true}", .hold = hold, .times = times };
}

/* The driver's answer to a call that was given up just before it came: as if both had crossed. */
static void late_answer(trouble *t, const char *id, uint64_t visit)
{
    pw_http_call *call = pw_http_call_new();
    EXPECT(call != NULL);
    call->instance = pw_arena_str(&call->arena, pw_str_of(id));
    call->visit = visit;
    call->attempt = 1;
    call->result = (pw_call_result){ .answered = true, .status = 200, .body = PW_LIT("{}") };
    pw_mailbox_call(&pw_engine_shard_of(t->f.p, call->instance)->mailbox, call);
}

/* ------------------------------------------------------------------ intent */

TEST(two_phase_external_calls, the_intent_is_in_the_file_before_a_byte_is_sent)
{
    trouble t;
    char sql[512];
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/pay", paid(true, 0));
    deploy_call(&t, "pay", "/pay", NULL);
    char *id = start(&t.f, "pay", NULL);
    service_wait_held(t.s, 1); /* the request is there, and not answered: another connection looks at the file */
    EXPECT_TEXT(ask_file(&t, "SELECT json_array(state, task, method, attempt, attempts, outcome) FROM external_call"),
                "[\"pending\",\"/do/0/pay\",\"POST\",1,1,null]");
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM external_call WHERE instance = '%s' AND key = '%s'", id,
                   key_of(&t, 0));
    EXPECT_TEXT(ask_file(&t, sql), "1"); /* under the key that was sent */
    (void)snprintf(sql, sizeof sql, "SELECT endpoint = '%s' FROM external_call", service_url(t.s, "/pay"));
    EXPECT_TEXT(ask_file(&t, sql), "1");
    EXPECT_TEXT(ask_file(&t, "SELECT group_concat(event) FROM step"), "start");
    EXPECT_CALLS(&t, id, "[.calls[] | [.state, .attempt]]", "[[\"in-progress\",1]]");
    service_release(t.s, 1);
    pawl_free(finish(&t.f, id));
    pawl_free(id);
    trouble_done(&t);
}

TEST(two_phase_external_calls, an_intent_that_cannot_be_committed_is_not_sent)
{
    trouble t;
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/pay", paid(false, 0));
    deploy_call(&t, "pay", "/pay", NULL);
    sqlite3 *db = NULL; /* whatever writes a call fails */
    EXPECT_INT(sqlite3_open(t.f.store, &db), SQLITE_OK);
    EXPECT_INT(sqlite3_exec(db, "CREATE TRIGGER none BEFORE INSERT ON external_call BEGIN SELECT RAISE(ABORT, 'no'); END", NULL,
                            NULL, NULL),
               SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    char *id = NULL;
    const pawl_start_options options = { .struct_size = sizeof options, .name = "pay" };
    EXPECT(pawl_start(t.f.p, &options, &id, NULL, &t.f.err) != PAWL_OK);
    EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
    EXPECT_INT(service_requests(t.s), 0);
    EXPECT_TEXT(ask_file(&t, "SELECT count(*) FROM instance"), "0");
    trouble_done(&t);
}

TEST(two_phase_external_calls, no_transaction_is_open_while_the_call_runs)
{
    trouble t;
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/pay", paid(true, 0));
    deploy_call(&t, "pay", "/pay", NULL);
    deploy(&t.f, "quick", "  - done: {set: {n: 1}}");
    char *id = start(&t.f, "pay", NULL);
    service_wait_held(t.s, 1);
    sqlite3 *db = NULL; /* a transaction of the call's would be open for as long as this waits: others of the engine are not */
    EXPECT_INT(sqlite3_open(t.f.store, &db), SQLITE_OK);
    EXPECT_INT(sqlite3_busy_timeout(db, WAIT_MS), SQLITE_OK);
    EXPECT_INT(sqlite3_exec(db, "BEGIN IMMEDIATE; ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    /* and a whole checkpoint that nobody is reading */
    int in_log = -1, moved = -2;
    EXPECT_INT(sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_RESTART, &in_log, &moved), SQLITE_OK);
    EXPECT_INT(in_log, moved);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    for (int i = 0; i < 20; i++) { /* others are committed beside it */
        char *other = start(&t.f, "quick", NULL), *text = finish(&t.f, other);
        EXPECT_ASK(text, ".status", "\"completed\"");
        pawl_free(text);
        pawl_free(other);
    }
    EXPECT_INT(service_requests(t.s), 1);
    EXPECT_SHOW(&t, id, "[.status, .token]", "[\"waiting\",1]");
    service_release(t.s, 1);
    pawl_free(finish(&t.f, id));
    pawl_free(id);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ outcome */

TEST(two_phase_external_calls, completed_with_its_answer_in_the_step_that_goes_on)
{
    trouble t;
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/pay", paid(false, 0));
    deploy_call(&t, "pay", "/pay", NULL);
    char *id = start(&t.f, "pay", NULL), *text = finish(&t.f, id);
    EXPECT_ASK(text, "[.status, .token, .output.paid]", "[\"completed\",2,true]");
    EXPECT_TEXT(ask_file(&t, "SELECT json_array(state, attempt, attempts, ended_ms, json_extract(outcome, '$.status')) FROM"
                             " external_call"),
                "[\"completed\",1,1,1800000000000,200]");
    EXPECT_CALLS(&t, id, "[.calls[] | [.task, .state, .method, .status, .endedAt]]",
                 "[[\"/do/0/pay\",\"completed\",\"POST\",200,\"2027-01-15T08:00:00.000Z\"]]");
    pawl_free(text);
    pawl_free(id);
    trouble_done(&t);
}

TEST(two_phase_external_calls, failed_between_attempts_and_pending_again_with_the_same_bytes)
{
    trouble t;
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/pay", (service_answer){ .status = 503, .times = 1 });
    service_on(t.s, "/pay", paid(true, 1));
    deploy_call(&t, "pay", "/pay", NULL);
    char *id = start(&t.f, "pay", "{\"order\":7}");
    idle(&t, id);
    if (wake_at(&t, id) > 0) { /* the jitter left a delay */
        EXPECT_TEXT(ask_file(&t, "SELECT json_array(state, attempt, attempts) FROM external_call"), "[\"failed\",1,1]");
        EXPECT_CALLS(&t, id, "[.calls[] | [.state, .attempt, .status]]", "[[\"failed\",1,503]]");
        fixture_clock(&t.f, (uint64_t)wake_at(&t, id));
    }
    service_wait_held(t.s, 1);
    EXPECT_TEXT(ask_file(&t, "SELECT json_array(state, attempt, attempts) FROM external_call"), "[\"pending\",2,2]");
    service_release(t.s, 1);
    pawl_free(finish(&t.f, id));
    const service_request *first = service_request_at(t.s, 0), *second = service_request_at(t.s, 1);
    EXPECT_TEXT(key_of(&t, 1), key_of(&t, 0));
    EXPECT_TEXT(second->body, first->body);
    EXPECT_TEXT(second->head, first->head);
    EXPECT_TEXT(second->path, first->path);
    EXPECT_TEXT(ask_file(&t, "SELECT json_array(state, attempt, attempts) FROM external_call"), "[\"completed\",2,2]");
    pawl_free(id);
    trouble_done(&t);
}

TEST(two_phase_external_calls, timed_out_when_no_answer_came)
{
    trouble t;
    trouble_init(&t, NULL);
    t.f.options.http_timeout_ms = 100;
    t.resilience.call_retries = 0;
    trouble_open(&t);
    service_on(t.s, "/pay", paid(true, 0));
    deploy_call(&t, "pay", "/pay", NULL);
    char *id = start(&t.f, "pay", NULL);
    idle(&t, id);
    EXPECT_TEXT(ask_file(&t, "SELECT json_array(state, attempt, attempts) FROM external_call"), "[\"timed-out\",1,1]");
    EXPECT_SHOW(&t, id, "[.status, .error.status]", "[\"faulted\",504]");
    EXPECT_TEXT(faults(&t, id), "external-call-fault timeout 1 incident open");
    pawl_free(id);
    trouble_done(&t);
}

TEST(two_phase_external_calls, abandoned_when_nobody_waits_for_it_any_more)
{
    trouble t;
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/pay", paid(true, 0));
    deploy_call(&t, "pay", "/pay", NULL);
    char body[512];
    (void)snprintf(body, sizeof body,
                   "  - race:\n"
                   "      fork:\n"
                   "        compete: true\n"
                   "        branches:\n"
                   "          - slow: {call: http, with: {method: post, endpoint: '%s', body: {}}}\n"
                   "          - fast: {call: gate, with: {}}",
                   service_url(t.s, "/pay"));
    deploy(&t.f, "race", body);
    char *cancelled = start(&t.f, "pay", NULL), *raced = start(&t.f, "race", NULL);
    service_wait_held(t.s, 2);
    EXPECT_OK(pawl_cancel(t.f.p, cancelled, "ann", "no more", &t.f.err), t.f.err);
    gate_open(&t.f.gate, UINT_MAX);
    char *text = finish(&t.f, raced);
    EXPECT_ASK(text, ".status", "\"completed\"");
    EXPECT_TEXT(ask_file(&t, "SELECT group_concat(state) FROM external_call"), "abandoned,abandoned");
    EXPECT_CALLS(&t, cancelled, "[.calls[] | .state]", "[\"abandoned\"]");
    EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
    EXPECT_INT(service_requests(t.s), 2);
    pawl_free(text);
    pawl_free(raced);
    pawl_free(cancelled);
    trouble_done(&t);
}

/* A time-out of the task abandons its call; the instance lives on, so what comes late has a log to be in. */
TEST(two_phase_external_calls, an_answer_that_comes_late_is_logged_and_has_no_effect)
{
    trouble t;
    char body[1024];
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/pay", paid(true, 0));
    (void)snprintf(body, sizeof body,
                   "  - all:\n"
                   "      try:\n"
                   "        - pay: {call: http, with: {method: post, endpoint: '%s', body: {}}, timeout: {after: PT10S}}\n"
                   "      catch:\n"
                   "        do:\n"
                   "          - over: {set: {late: true}}\n"
                   "  - ask: {call: userTask, with: {key: ok}, output: {as: '${ $input }'}}",
                   service_url(t.s, "/pay"));
    deploy(&t.f, "hurry", body);
    char *id = start(&t.f, "hurry", NULL);
    service_wait_held(t.s, 1);
    forward(&t, 10000); /* its own time is over; that of the request is not */
    idle(&t, id);
    EXPECT_SHOW(&t, id, "[.status, .waits[0].key]", "[\"waiting\",\"ok\"]");
    EXPECT_TEXT(ask_file(&t, "SELECT state FROM external_call"), "abandoned");
    uint64_t visit = strtoull(ask_file(&t, "SELECT visit FROM external_call"), NULL, 10);
    late_answer(&t, id, visit); /* nobody is busy until its shard has taken it */
    until_same(&t, ask_log, id, "[.steps[].entries[] | select(.type == \"call.late\") | .status]", "[200]");
    EXPECT_SHOW(&t, id, "[.status, .waits[0].key]", "[\"waiting\",\"ok\"]");
    EXPECT_TEXT(ask_file(&t, "SELECT json_array(state, attempts) FROM external_call"), "[\"abandoned\",1]");
    EXPECT_OK(pawl_resume(t.f.p, id, "ok", NULL, NULL, &t.f.err), t.f.err);
    EXPECT_INT(service_requests(t.s), 1);
    pawl_free(id);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ unknown outcome: the process went away meanwhile */

static char *interrupted(trouble *t, const char *resilience)
{
    trouble_init(t, NULL);
    trouble_open(t);
    service_on(t->s, "/pay", paid(true, 1)); /* the first is never answered */
    service_on(t->s, "/pay", paid(false, 0));
    deploy_call(t, "pay", "/pay", resilience);
    char *id = start(&t->f, "pay", NULL);
    service_wait_held(t->s, 1);
    trouble_again(t);
    return id;
}

TEST(two_phase_external_calls, unknown_is_sent_again_with_the_same_key_and_bytes)
{
    static const char *const resilience[] = { NULL, "{onUnknownOutcome: resend}" };
    for (size_t i = 0; i < PW_LENGTH(resilience); i++) {
        trouble t;
        char *id = interrupted(&t, resilience[i]);
        char *text = finish(&t.f, id);
        EXPECT_ASK(text, "[.status, .output.paid]", "[\"completed\",true]");
        EXPECT_INT(service_requests(t.s), 2);
        EXPECT_TEXT(key_of(&t, 1), key_of(&t, 0));
        EXPECT_TEXT(service_request_at(t.s, 1)->body, service_request_at(t.s, 0)->body);
        EXPECT_TEXT(faults(&t, id), "");
        pawl_free(text);
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(two_phase_external_calls, unknown_is_asked_of_a_person_who_lets_it_be_sent_again)
{
    trouble t;
    char *id = interrupted(&t, "{onUnknownOutcome: ask}");
    idle(&t, id);
    EXPECT_INT(service_requests(t.s), 1); /* nothing is sent without a word */
    EXPECT_TEXT(faults(&t, id), "external-call-fault unknown-outcome 1 incident open");
    EXPECT_TEXT(ask_file(&t, "SELECT state FROM external_call"), "unknown");
    EXPECT_CALLS(&t, id, "[.calls[] | .state]", "[\"unknown\"]");
    EXPECT_CONTAINS(action(&t, id), "pawl retry ");
    trouble_again(&t); /* nor after another restart */
    idle(&t, id);
    EXPECT_INT(service_requests(t.s), 1);
    EXPECT_OK(pawl_change_with(t.f.p, id, PAWL_RETRY, "it had no effect", NULL, NULL, &t.f.err), t.f.err);
    char *text = finish(&t.f, id);
    EXPECT_ASK(text, "[.status, .output.paid]", "[\"completed\",true]");
    EXPECT_INT(service_requests(t.s), 2);
    EXPECT_TEXT(key_of(&t, 1), key_of(&t, 0));
    EXPECT_TEXT(service_request_at(t.s, 1)->body, service_request_at(t.s, 0)->body);
    pawl_free(text);
    pawl_free(id);
    trouble_done(&t);
}

TEST(two_phase_external_calls, unknown_is_an_error_which_a_try_may_catch)
{
    trouble t;
    char body[1024];
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/pay", paid(true, 0));
    deploy_call(&t, "pay", "/pay", "{onUnknownOutcome: fault}");
    (void)snprintf(body, sizeof body,
                   "  - all:\n"
                   "      try:\n"
                   "        - pay: {call: http, with: {method: post, endpoint: '%s', body: {}},"
                   " metadata: {pawl: {resilience: {onUnknownOutcome: fault}}}}\n"
                   "      catch:\n"
                   "        do:\n"
                   "          - over: {set: {status: '${ $error.status }', title: '${ $error.title }'}}",
                   service_url(t.s, "/pay"));
    deploy(&t.f, "careful", body);
    char *plain = start(&t.f, "pay", NULL), *careful = start(&t.f, "careful", NULL);
    service_wait_held(t.s, 2);
    trouble_again(&t);
    idle(&t, plain);
    char *text = finish(&t.f, careful);
    EXPECT_ASK(text, "[.status, .output.status, .output.title]", "[\"completed\",502,\"the outcome of the call is unknown\"]");
    EXPECT_SHOW(&t, plain, "[.status, .error.status, (.error.type | split(\"/\") | last)]",
                "[\"faulted\",502,\"communication\"]");
    EXPECT_TEXT(faults(&t, plain), "external-call-fault unknown-outcome 1 incident open");
    EXPECT_INT(service_requests(t.s), 2);
    EXPECT_TEXT(ask_file(&t, "SELECT group_concat(state) FROM external_call"), "unknown,unknown");
    pawl_free(text);
    pawl_free(careful);
    pawl_free(plain);
    trouble_done(&t);
}

TEST(two_phase_external_calls, a_time_out_is_unknown_too_and_what_was_certainly_not_sent_is_not)
{
    static const struct {
        const char *resilience, *fault;
        bool dead;
        unsigned requests;
    } cases[] = {
        { "{onUnknownOutcome: ask, timeout: {seconds: 1}}", "external-call-fault unknown-outcome 1 incident open", false, 1 },
        { "{onUnknownOutcome: fault, timeout: {seconds: 1}}", "external-call-fault unknown-outcome 1 incident open", false, 1 },
        { "{timeout: {seconds: 1}}", "external-call-fault timeout 2 incident open", false, 2 },
        { "{onUnknownOutcome: ask}", "external-call-fault connection 2 incident open", true, 0 },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        trouble t;
        char url[64];
        trouble_init(&t, NULL);
        t.resilience.call_retries = 1;
        trouble_open(&t);
        service_on(t.s, "/pay", paid(true, 0));
        (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/pay", cases[i].dead ? service_dead_port() : service_port(t.s));
        deploy_call_to(&t, "pay", url, cases[i].resilience);
        char *id = start(&t.f, "pay", NULL);
        (void)drive(&t, id);
        EXPECT_TEXT(faults(&t, id), cases[i].fault);
        EXPECT_INT(service_requests(t.s), cases[i].requests);
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(two_phase_external_calls, the_configuration_says_what_tasks_do_not)
{
    static const struct {
        const char *configured, *resilience, *faults;
    } cases[] = {
        { "ask", NULL, "external-call-fault unknown-outcome 1 incident open" },
        { "fault", NULL, "external-call-fault unknown-outcome 1 incident open" },
        { "ask", "{onUnknownOutcome: resend}", "" },
        { "resend", NULL, "" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        trouble t;
        trouble_init(&t, NULL);
        t.resilience.on_unknown = cases[i].configured;
        trouble_open(&t);
        service_on(t.s, "/pay", paid(true, 1));
        service_on(t.s, "/pay", paid(false, 0));
        deploy_call(&t, "pay", "/pay", cases[i].resilience);
        char *id = start(&t.f, "pay", NULL);
        service_wait_held(t.s, 1);
        trouble_again(&t);
        (void)drive(&t, id);
        EXPECT_TEXT(faults(&t, id), cases[i].faults);
        EXPECT_INT(service_requests(t.s), cases[i].faults[0] ? 1 : 2);
        pawl_free(id);
        trouble_done(&t);
    }
}

/* ------------------------------------------------------------------ limits, keys */

TEST(two_phase_external_calls, an_answer_has_a_limit_and_is_not_read_beyond_it)
{
    static const service_manner manners[] = { SERVICE_ANSWER, SERVICE_CHUNKED, SERVICE_UNTIL_CLOSE, SERVICE_ENDLESS_BODY };
    static char large[20001];
    memset(large, 'x', sizeof large - 1);
    for (size_t i = 0; i < PW_LENGTH(manners); i++) {
        trouble t;
        trouble_init(&t, NULL);
        t.f.options.http_response_max = 10000;
        trouble_open(&t);
        service_on(t.s, "/pay", (service_answer){ .body = large, .manner = manners[i] });
        deploy_call(&t, "pay", "/pay", NULL);
        char *id = start(&t.f, "pay", NULL);
        idle(&t, id);
        EXPECT_SHOW(&t, id, "[.status, (.error | tojson | contains(\"10000\"))]", "[\"faulted\",true]");
        EXPECT_TEXT(faults(&t, id), "external-call-fault malformed-answer 1 incident open");
        EXPECT_INT(service_requests(t.s), 1);
        EXPECT_TEXT(ask_file(&t, "SELECT length(outcome) < 2000 FROM external_call"), "1");
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(two_phase_external_calls, another_request_another_turn_and_another_instance_have_another_key)
{
    trouble t;
    char body[1024];
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/pay", (service_answer){ .status = 503, .times = 1 });
    service_on(t.s, "/pay", paid(false, 0));
    (void)snprintf(body, sizeof body,
                   "  - each:\n"
                   "      for: {in: '${ .amounts }', each: amount}\n"
                   "      do:\n"
                   "        - pay: {call: http, with: {method: post, endpoint: '%s', body: {n: '${ $amount }'}},"
                   " output: {as: '${ $input }'}}",
                   service_url(t.s, "/pay"));
    deploy(&t.f, "pay", body);
    char *one = start(&t.f, "pay", "{\"amounts\":[1,1,2]}");
    (void)drive(&t, one);
    char *two = start(&t.f, "pay", "{\"amounts\":[1]}");
    (void)drive(&t, two);
    EXPECT_INT(service_requests(t.s), 5);
    EXPECT_TEXT(key_of(&t, 1), key_of(&t, 0));         /* the retry */
    EXPECT(strcmp(key_of(&t, 2), key_of(&t, 1)) != 0); /* the same request in another turn */
    EXPECT(strcmp(key_of(&t, 3), key_of(&t, 2)) != 0); /* another request */
    EXPECT(strcmp(key_of(&t, 4), key_of(&t, 0)) != 0); /* the same in another instance */
    EXPECT_TEXT(ask_file(&t, "SELECT count(DISTINCT key) FROM external_call"), "4");
    pawl_free(two);
    pawl_free(one);
    trouble_done(&t);
}

TEST(two_phase_external_calls, a_retry_of_a_try_that_asks_for_something_else_has_another_key)
{
    trouble t;
    char body[1024];
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/pay", (service_answer){ .status = 404, .times = 2 });
    service_on(t.s, "/pay", paid(false, 0));
    (void)snprintf(body, sizeof body,
                   "  - all:\n"
                   "      try:\n"
                   "        - note: {set: {tries: '${ (.tries // 0) + 1 }'}, export: {as: '${ {n: (($context.n // 0) + 1)} }'}}\n"
                   "        - pay: {call: http, with: {method: post, endpoint: '%s', body: {second: '${ $context.n > 1 }'}}}\n"
                   "      catch:\n"
                   "        retry: {delay: {seconds: 1}, limit: {attempt: {count: 5}}}",
                   service_url(t.s, "/pay"));
    deploy(&t.f, "pay", body);
    char *id = start(&t.f, "pay", "{}");
    (void)drive(&t, id);
    EXPECT_SHOW(&t, id, ".status", "\"completed\"");
    EXPECT_INT(service_requests(t.s), 3);
    EXPECT_TEXT(service_request_at(t.s, 0)->body, "{\"second\":false}");
    EXPECT_TEXT(service_request_at(t.s, 1)->body, "{\"second\":true}");
    EXPECT(strcmp(key_of(&t, 1), key_of(&t, 0)) != 0); /* edited */
    EXPECT_TEXT(key_of(&t, 2), key_of(&t, 1));         /* the same again */
    pawl_free(id);
    trouble_done(&t);
}

TEST(two_phase_external_calls, a_delay_of_seconds_is_over_at_its_instant_and_not_before_also_after_a_restart)
{
    trouble t;
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/pay", (service_answer){ .status = 503, .times = 1 });
    service_on(t.s, "/pay", paid(false, 0));
    deploy_call(&t, "pay", "/pay", "{retry: {delay: {seconds: 30}, limit: {attempt: {count: 3}}}}");
    char *id = start(&t.f, "pay", NULL);
    idle(&t, id);
    EXPECT_INT(wake_at(&t, id), TIME0 + 30000);
    trouble_again(&t);
    forward(&t, 29999);
    EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
    EXPECT_INT(service_requests(t.s), 1);
    EXPECT_TEXT(ask_file(&t, "SELECT count(*) FROM bookmark"), "0"); /* it is no bookmark */
    forward(&t, 1);
    char *text = finish(&t.f, id);
    EXPECT_ASK(text, ".status", "\"completed\"");
    EXPECT_INT(service_requests(t.s), 2);
    EXPECT_TEXT(key_of(&t, 1), key_of(&t, 0));
    pawl_free(text);
    pawl_free(id);
    trouble_done(&t);
}

TEST_MAIN()
