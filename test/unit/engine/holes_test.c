/* holes_test.c - the suite "holes": what other engines are known to do wrong when the world fails. Each test is named by
 * what must not be. */
#include <limits.h>
#include <sqlite3.h>
#include "trouble.h"
#include "store/memory/memory.h"

static const char json[] = "Content-Type: application/json\r\n";

static service_answer fails(int status, unsigned times)
{
    return (service_answer){ .status = status, .times = times };
}

static service_answer paid(void)
{
    return (service_answer){ .headers = json, .body = "{\"paid\":true}" };
}

/* A statement by a connection of its own, beside the engine. */
static void change_file(trouble *t, const char *sql)
{
    sqlite3 *db = NULL;
    char *why = NULL;
    EXPECT_INT(sqlite3_open(t->f.store, &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 10000);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
}

TEST(holes, a_retry_that_runs_the_whole_start_again)
{
    trouble t;
    char body[512];
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/pay", fails(503, 3));
    service_on(t.s, "/pay", paid());
    (void)snprintf(body, sizeof body,
                   "  - first: {call: work, with: {}}\n"
                   "  - pay: {call: http, with: {method: post, endpoint: '%s', body: {}}}",
                   service_url(t.s, "/pay"));
    deploy(&t.f, "both", body);
    char *id = start(&t.f, "both", NULL);
    (void)drive(&t, id);
    trouble_again(&t);
    EXPECT_SHOW(&t, id, ".status", "\"completed\"");
    EXPECT_INT(trouble_runs(&t), 1); /* what was done is not done again */
    EXPECT_INT(service_requests(t.s), 4);
    EXPECT_LOG(&t, id, "[.steps[].entries[] | select(.type == \"instance.started\" or (.type == \"task.started\")) | .task // \"\"]",
               "[\"\",\"/do/0/first\",\"/do/1/pay\"]");
    pawl_free(id);
    trouble_done(&t);
}

TEST(holes, a_retried_start_that_makes_a_second_instance)
{
    static const bool applied[] = { false, true };
    for (size_t i = 0; i < PW_LENGTH(applied); i++) {
        trouble t;
        trouble_init(&t, "memory:");
        trouble_open(&t);
        deploy_work(&t, "work", NULL);
        const pawl_request request = { .struct_size = sizeof request, .actor = "ann", .idempotency_key = "once" };
        const pawl_start_options options = { .struct_size = sizeof options, .name = "work", .request = &request };
        char *id = NULL, *again = NULL, *text = NULL;
        pw_memory_fail_commit(t.f.p->store, 1, applied[i]);
        EXPECT_OK(pawl_start(t.f.p, &options, &id, NULL, &t.f.err), t.f.err);
        pw_memory_fail_commit(t.f.p->store, 1, applied[i]); /* for the repeat, or the result of the function */
        EXPECT_OK(pawl_start(t.f.p, &options, &again, NULL, &t.f.err), t.f.err);
        EXPECT_TEXT(again, id);
        pawl_free(finish(&t.f, id));
        EXPECT_OK(pawl_count(t.f.p, NULL, &text, &t.f.err), t.f.err);
        EXPECT_ASK(text, ".total", "1");
        EXPECT_INT(trouble_runs(&t), 1);
        pawl_free(text);
        pawl_free(again);
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(holes, a_bookmark_consumed_before_its_answer_is_looked_at)
{
    trouble t;
    trouble_init(&t, NULL);
    trouble_open(&t);
    deploy(&t.f, "ask", "  - ask: {call: userTask, with: {key: ok, form: {schema: {type: object, required: [n],"
                        " properties: {n: {type: integer}}}}}}");
    char *id = start(&t.f, "ask", NULL);
    static const char *const bad[] = { "{}", "{\"n\":\"1\"}", "[]", "{\"n\":", "null" };
    for (size_t i = 0; i < PW_LENGTH(bad); i++)
        EXPECT_INT(pawl_resume(t.f.p, id, "ok", bad[i], NULL, &t.f.err), PAWL_INVALID);
    EXPECT_TEXT(ask_file(&t, "SELECT json_array(consumed, ended_ms, (SELECT count(*) FROM step)) FROM bookmark"), "[0,null,1]");
    EXPECT_OK(pawl_resume(t.f.p, id, "ok", "{\"n\":1}", NULL, &t.f.err), t.f.err);
    EXPECT_SHOW(&t, id, "[.status, .output.n]", "[\"completed\",1]");
    pawl_free(id);
    trouble_done(&t);
}

/* A step that somebody else commits, with the same state: what is decided meanwhile loses. */
static void commit_behind(trouble *t, const char *id)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_instance_row row;
    EXPECT_OK(pw_store_instance_get(t->f.p->store, pw_str_of(id), true, &row, &arena, &t->f.err), t->f.err);
    const pw_transition transition = { .changed = true,
                                       .status = row.status,
                                       .state_text = row.state,
                                       .wake_at = row.wake_at,
                                       .timer_at = PW_WAKE_NEVER,
                                       .entries = PW_LIT("[]") };
    pw_commit_item item = { .instance = row.id,
                            .token = row.token,
                            .transition = &transition,
                            .event = PW_EVENT_DRIVE,
                            .now_ms = row.updated_ms };
    EXPECT_OK(pw_store_commit(t->f.p->store, &item, 1, &t->f.err), t->f.err);
    EXPECT_INT(item.code, PAWL_OK);
    pw_arena_done(&arena);
}

TEST(holes, a_conflict_that_drops_the_move)
{
    trouble t;
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/pay", (service_answer){ .status = 503, .hold = true, .times = 1 });
    service_on(t.s, "/pay", (service_answer){ .headers = json, .body = "{\"paid\":true}", .hold = true });
    deploy_call(&t, "pay", "/pay", "{retry: {delay: {seconds: 10}, limit: {attempt: {count: 3}}}}");
    char *id = start(&t.f, "pay", NULL);
    service_wait_held(t.s, 1);
    commit_behind(&t, id); /* against the failure */
    service_release(t.s, 1);
    idle(&t, id);
    EXPECT_LOG(&t, id, FAILED " | map(.attempt)", "[1]");
    commit_behind(&t, id); /* against the timer */
    EXPECT_INT(wake_at(&t, id), TIME0 + 10000);
    fixture_clock(&t.f, TIME0 + 10000);
    service_wait_held(t.s, 1);
    commit_behind(&t, id); /* against the answer */
    service_release(t.s, 1);
    char *text = finish(&t.f, id);
    EXPECT_ASK(text, "[.status, .output.paid]", "[\"completed\",true]");
    EXPECT_INT(service_requests(t.s), 2);
    EXPECT_TEXT(ask_file(&t, "SELECT json_array(state, attempts) FROM external_call"), "[\"completed\",2]");
    pawl_free(text);
    pawl_free(id);
    trouble_done(&t);
}

TEST(holes, attempt_counters_that_stay_at_one)
{
    static const int statuses[] = { 500, 500, 500 };
    trouble t;
    trouble_init(&t, NULL);
    t.statuses = statuses;
    t.status_count = 3;
    trouble_open(&t);
    service_on(t.s, "/pay", fails(503, 5));
    service_on(t.s, "/pay", paid());
    deploy_call(&t, "pay", "/pay", "{retry: {delay: {seconds: 10}, limit: {attempt: {count: 5}}}}");
    deploy_work(&t, "work", "{retry: {delay: {seconds: 10}, limit: {attempt: {count: 5}}}}");
    char *pay = start(&t.f, "pay", NULL), *work = start(&t.f, "work", NULL);
    for (unsigned attempt = 1; attempt <= 5; attempt++) {
        char expected[64];
        idle(&t, pay);
        idle(&t, work); /* an attempt that is under way when the engine closes would be lost, and count */
        (void)snprintf(expected, sizeof expected, "[%u,%u]", attempt, attempt);
        EXPECT_TEXT(ask_file(&t, "SELECT json_array(attempt, attempts) FROM external_call"), expected);
        trouble_again(&t);
        go_on(&t, pay);
    }
    (void)drive(&t, work);
    EXPECT_SHOW(&t, pay, ".status", "\"completed\"");
    EXPECT_SHOW(&t, work, "[.status, .output.attempt]", "[\"completed\",4]");
    EXPECT_LOG(&t, pay, FAILED " | map(.attempt)", "[1,2,3,4,5]");
    EXPECT_LOG(&t, work, FAILED " | map(.attempt)", "[1,2,3]");
    for (unsigned i = 0; i < 4; i++)
        EXPECT_INT(t.attempts[i], i + 1);
    EXPECT_TEXT(ask_file(&t, "SELECT json_array(attempt, attempts, state) FROM external_call"), "[6,6,\"completed\"]");
    pawl_free(work);
    pawl_free(pay);
    trouble_done(&t);
}

TEST(holes, errors_of_http_that_are_swallowed_before_retry_and_breaker_see_them)
{
    static const char *const outputs[] = { "content", "response", "raw" };
    for (size_t i = 0; i < PW_LENGTH(outputs); i++) {
        trouble t;
        char body[512];
        trouble_init(&t, NULL);
        t.resilience.call_retries = 1;
        trouble_open(&t);
        service_on(t.s, "/pay", fails(500, 1));
        service_on(t.s, "/pay", (service_answer){ .status = 503, .headers = json, .body = "{\"looks\":\"good\"}" });
        (void)snprintf(body, sizeof body, "  - pay: {call: http, with: {method: post, endpoint: '%s', output: %s, body: {}}}",
                       service_url(t.s, "/pay"), outputs[i]);
        deploy(&t.f, "pay", body);
        char *id = start(&t.f, "pay", NULL);
        (void)drive(&t, id);
        EXPECT_SHOW(&t, id, "[.status, .error.status]", "[\"faulted\",503]");
        EXPECT_LOG(&t, id, "[" FAILED "[], (" FAULT ") | [.class, .error.status]]",
                   "[[\"server-error\",500],[\"server-error\",503]]");
        EXPECT_BREAKERS(&t, "[.breakers[] | [.calls, .failures, .failed]]", "[[2,2,2]]");
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(holes, one_breaker_for_all_services)
{
    trouble t;
    service *good = service_new();
    trouble_init(&t, NULL);
    t.resilience.breaker_failures = 1;
    t.resilience.breaker_throughput = 1;
    t.resilience.breaker_break_ms = 3600000;
    t.resilience.call_base_delay_ms = 0;
    trouble_open(&t);
    service_on(t.s, "/pay", fails(503, 0));
    service_on(good, "/pay", paid());
    deploy_call(&t, "bad", "/pay", NULL);
    deploy_call_to(&t, "good", service_url(good, "/pay"), NULL);
    char *bad = start(&t.f, "bad", NULL);
    until_breakers(&t, "[.breakers[] | [.state, .waiting]]", "[[\"open\",1]]");
    for (int i = 0; i < 10; i++) {
        char *id = start(&t.f, "good", NULL), *text = finish(&t.f, id);
        EXPECT_ASK(text, ".status", "\"completed\"");
        pawl_free(text);
        pawl_free(id);
    }
    EXPECT_INT(service_requests(t.s), 1);
    EXPECT_INT(service_requests(good), 10);
    pawl_free(bad);
    trouble_done(&t);
    service_free(good);
}

TEST(holes, time_outs_that_never_count)
{
    trouble t;
    trouble_init(&t, NULL);
    t.f.options.http_timeout_ms = 1000; /* each is sent within it */
    t.resilience.breaker_failures = 3;
    t.resilience.breaker_throughput = 3;
    t.resilience.breaker_break_ms = 3600000;
    t.resilience.call_base_delay_ms = 0;
    trouble_open(&t);
    service_on(t.s, "/pay", (service_answer){ .hold = true });
    deploy_call(&t, "pay", "/pay", NULL);
    char *id = start(&t.f, "pay", NULL);
    until_breakers(&t, "[.breakers[] | [.state, .failed, .waiting, .active]]", "[[\"open\",3,1,0]]");
    EXPECT_INT(service_requests(t.s), 3);
    EXPECT_LOG(&t, id, FAILED " | map([.attempt, .class])", "[[1,\"timeout\"],[2,\"timeout\"],[3,\"timeout\"]]");
    EXPECT_TEXT(ask_file(&t, "SELECT json_array(state, attempts) FROM external_call"), "[\"pending\",4]");
    pawl_free(id);
    trouble_done(&t);
}

TEST(holes, idempotency_keys_that_change)
{
    trouble t;
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/pay", fails(503, 2));                            /* retried */
    service_on(t.s, "/pay", (service_answer){ .hold = true, .times = 1 }); /* lost with its process */
    service_on(t.s, "/pay", fails(404, 1));                            /* an incident, which is retried */
    service_on(t.s, "/pay", (service_answer){ .manner = SERVICE_CLOSE, .times = 1 });
    service_on(t.s, "/pay", paid());
    deploy_call(&t, "pay", "/pay", "{retry: {delay: {seconds: 10}, limit: {attempt: {count: 5}}}}");
    char *id = start(&t.f, "pay", "{\"n\":1}");
    idle(&t, id);
    go_on(&t, id);
    fixture_clock(&t.f, (uint64_t)wake_at(&t, id));
    service_wait_held(t.s, 1);
    trouble_again(&t);
    idle(&t, id);
    EXPECT_SHOW(&t, id, ".status", "\"faulted\"");
    EXPECT_OK(pawl_change_with(t.f.p, id, PAWL_RETRY, NULL, NULL, NULL, &t.f.err), t.f.err);
    (void)drive(&t, id);
    EXPECT_SHOW(&t, id, ".status", "\"completed\"");
    EXPECT_INT(service_requests(t.s), 6);
    for (unsigned i = 1; i < 6; i++) {
        EXPECT_TEXT(key_of(&t, i), key_of(&t, 0));
        EXPECT_TEXT(service_request_at(t.s, i)->body, service_request_at(t.s, 0)->body);
    }
    EXPECT_TEXT(ask_file(&t, "SELECT count(*) FROM external_call"), "1");
    pawl_free(id);
    trouble_done(&t);
}

TEST(holes, calls_in_progress_for_ever)
{
    static const struct {
        const char *resilience, *state;
    } cases[] = {
        { "{timeout: {seconds: 1}, retry: {limit: {attempt: {count: 1}}}}", "timed-out" },
        { "{onUnknownOutcome: ask}", "unknown" },
        { "{onUnknownOutcome: fault}", "unknown" },
        { NULL, "abandoned" }, /* cancelled */
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        trouble t;
        trouble_init(&t, NULL);
        trouble_open(&t);
        service_on(t.s, "/pay", (service_answer){ .hold = true }); /* never answers */
        deploy_call(&t, "pay", "/pay", cases[i].resilience);
        char *id = start(&t.f, "pay", NULL);
        service_wait_held(t.s, 1);
        if (!cases[i].resilience)
            EXPECT_OK(pawl_cancel(t.f.p, id, NULL, NULL, &t.f.err), t.f.err);
        else if (i > 0)
            trouble_again(&t);
        (void)drive(&t, id);
        EXPECT_TEXT(ask_file(&t, "SELECT state FROM external_call"), cases[i].state);
        EXPECT_TEXT(ask_file(&t, "SELECT count(*) FROM external_call WHERE state = 'pending'"), "0");
        until_same(&t, ask_in_flight, NULL, ".", "0"); /* what was cancelled has gone */
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(holes, conditions_whose_error_counts_as_false)
{
    static const char *const bodies[] = {
        "  - a: {switch: [{x: {when: '${ .n | error(\"bad\") }', then: end}}, {y: {then: end}}]}",
        "  - a: {if: '${ .n | error(\"bad\") }', set: {n: 1}}",
        "  - a: {for: {in: '${ [1] }'}, while: '${ .n | error(\"bad\") }', do: [{b: {set: {n: 1}}}]}",
        "  - a: {try: [{b: {raise: {error: {type: 'urn:x', status: 500, title: No}}}}],"
        " catch: {when: '${ error(\"bad\") }', do: [{c: {set: {n: 1}}}]}}",
        "  - a: {try: [{b: {raise: {error: {type: 'urn:x', status: 500, title: No}}}}],"
        " catch: {retry: {when: '${ error(\"bad\") }', limit: {attempt: {count: 9}}}}}",
        "  - a: {call: work, with: {}, metadata: {pawl: {resilience: {retry: {when: '${ error(\"bad\") }',"
        " delay: {seconds: 1}, limit: {attempt: {count: 9}}}}}}}",
    };
    static const int statuses[] = { 500, 500, 500 };
    for (size_t i = 0; i < PW_LENGTH(bodies); i++) {
        trouble t;
        trouble_init(&t, "memory:");
        t.statuses = statuses;
        t.status_count = 3;
        trouble_open(&t);
        deploy(&t.f, "bad", bodies[i]);
        char *id = start(&t.f, "bad", "{\"n\":0}");
        (void)drive(&t, id);
        EXPECT_SHOW(&t, id, "[.status, (.error.type | split(\"/\") | last), (.error | tojson | contains(\"bad\"))]",
                    "[\"faulted\",\"expression\",true]");
        EXPECT(trouble_runs(&t) <= 1);
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(holes, a_failed_step_that_leaves_half_its_rows)
{
    trouble t;
    char body[512];
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/pay", paid());
    (void)snprintf(body, sizeof body,
                   "  - ask: {call: userTask, with: {key: ok}}\n"
                   "  - tell: {emit: {event: {with: {type: com.example.paid, source: /shop}}}}\n"
                   "  - pay: {call: http, with: {method: post, endpoint: '%s', body: {}}}",
                   service_url(t.s, "/pay"));
    deploy(&t.f, "pay", body);
    char *id = start(&t.f, "pay", NULL);
    static const char counts[] =
        "SELECT json_array((SELECT count(*) FROM step), (SELECT count(*) FROM bookmark WHERE ended_ms IS NULL),"
        " (SELECT count(*) FROM outbox WHERE type = 'com.example.paid'), (SELECT count(*) FROM external_call),"
        " (SELECT token FROM instance))";
    change_file(&t, "CREATE TRIGGER half BEFORE INSERT ON external_call BEGIN SELECT RAISE(ABORT, 'half'); END");
    pawl_code code = pawl_resume(t.f.p, id, "ok", "{\"yes\":1}", NULL, &t.f.err);
    EXPECT(code != PAWL_OK); /* the last of its writes failed */
    EXPECT_TEXT(ask_file(&t, counts), "[1,1,0,0,1]");
    EXPECT_INT(service_requests(t.s), 0);
    change_file(&t, "DROP TRIGGER half");
    while ((code = pawl_resume(t.f.p, id, "ok", "{\"yes\":1}", NULL, &t.f.err)) == PAWL_IO)
        ;
    EXPECT_INT(code, PAWL_OK);
    pawl_free(finish(&t.f, id));
    EXPECT_TEXT(ask_file(&t, counts), "[3,0,1,1,3]");
    EXPECT_INT(service_requests(t.s), 1);
    pawl_free(id);
    trouble_done(&t);
}

TEST(holes, a_suspended_instance_that_cannot_go_on)
{
    static const int statuses[] = { 500, 422 };
    static const char *const how[] = { "while it waits for its next attempt", "by its incident", "while a call runs" };
    for (size_t i = 0; i < PW_LENGTH(how); i++) {
        trouble t;
        trouble_init(&t, NULL);
        t.statuses = statuses + (i == 1);
        t.status_count = 1;
        t.resilience.suspend_after = 1;
        trouble_open(&t);
        service_on(t.s, "/pay", (service_answer){ .headers = json, .body = "1", .hold = true });
        deploy_work(&t, "work", "{retry: {delay: {seconds: 10}, limit: {attempt: {count: 3}}}}");
        deploy_call(&t, "pay", "/pay", NULL);
        char *id = start(&t.f, i == 2 ? "pay" : "work", NULL);
        if (i == 2)
            service_wait_held(t.s, 1);
        else
            idle(&t, id);
        if (i != 1)
            EXPECT_OK(pawl_suspend(t.f.p, id, NULL, NULL, &t.f.err), t.f.err);
        EXPECT_SHOW(&t, id, ".status", "\"suspended\"");
        service_release(t.s, 2);
        forward(&t, 3600000);
        EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
        EXPECT_SHOW(&t, id, ".status", "\"suspended\"");
        EXPECT_INT(trouble_runs(&t), i == 2 ? 0 : 1);
        trouble_again(&t);
        EXPECT_OK(pawl_continue(t.f.p, id, NULL, NULL, &t.f.err), t.f.err);
        char *text = finish(&t.f, id);
        if (strcmp(ask(text, ".status"), "\"completed\"") != 0)
            fail_msg("%s: %s", how[i], text);
        pawl_free(text);
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(holes, a_warning_every_minute)
{
    trouble t;
    trouble_init(&t, NULL);
    t.resilience.long_running_ms = 3600000;
    trouble_open(&t);
    deploy(&t.f, "ask", "  - ask: {call: userTask, with: {key: ok}}\n  - more: {call: userTask, with: {key: two}}");
    char *id = start(&t.f, "ask", NULL);
    static const char count[] = "[.steps[].entries[] | select(.type == \"instance.long-running\")] | length";
    static const char events[] = "SELECT count(*) FROM outbox WHERE type = 'io.pawl.instance.longrunning.v1'";
    forward(&t, 3599999);
    EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
    EXPECT_LOG(&t, id, count, "0");
    forward(&t, 1);
    for (int minute = 0; minute < 20; minute++) {
        EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
        EXPECT_LOG(&t, id, count, "1");
        EXPECT_TEXT(ask_file(&t, events), "1");
        forward(&t, 60000);
        if (minute == 7)
            trouble_again(&t);
        if (minute == 9)
            EXPECT_OK(pawl_resume(t.f.p, id, "ok", NULL, NULL, &t.f.err), t.f.err);
        if (minute == 12)
            EXPECT_OK(pawl_suspend(t.f.p, id, NULL, NULL, &t.f.err), t.f.err);
        if (minute == 14)
            EXPECT_OK(pawl_continue(t.f.p, id, NULL, NULL, &t.f.err), t.f.err);
    }
    EXPECT_SHOW(&t, id, "[.status, .waits[0].key]", "[\"waiting\",\"two\"]");
    EXPECT_TEXT(ask_file(&t, "SELECT wake_at FROM instance"), "(null)"); /* and it is not looked at again */
    pawl_free(id);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ rows that are damaged */

TEST(holes, a_call_sent_again_without_what_was_to_be_sent)
{
    trouble t;
    trouble_init(&t, NULL);
    trouble_open(&t);
    service_on(t.s, "/pay", fails(503, 1));
    service_on(t.s, "/pay", paid());
    deploy_call(&t, "pay", "/pay", NULL);
    char *id = start(&t.f, "pay", NULL);
    idle(&t, id);
    EXPECT_INT(service_requests(t.s), 1);
    fixture_close(&t.f);
    change_file(&t, "PRAGMA foreign_keys = OFF; DELETE FROM external_call");
    fixture_clock(&t.f, TIME0 + 3600000); /* its next attempt is due */
    fixture_open(&t.f);
    until_same(&t, ask_show, id, "[.status, (.waits[] | select(.kind == \"trouble\") | .reason | test(\"is not in the store; restore it from a backup\"))]",
               "[\"waiting\",true]");
    EXPECT_INT(service_requests(t.s), 1);
    pawl_free(id);
    trouble_done(&t);
}

TEST(holes, an_incident_of_a_call_that_does_not_say_how_its_service_is)
{
    trouble t;
    char *text = NULL, incident[64];
    trouble_init(&t, NULL);
    t.resilience.call_retries = 0;
    trouble_open(&t);
    service_on(t.s, "/pay", fails(503, 0));
    deploy_call(&t, "pay", "/pay", NULL);
    char *id = start(&t.f, "pay", NULL);
    (void)drive(&t, id);
    (void)snprintf(incident, sizeof incident, "%s", id);
    EXPECT_OK(pawl_incident(t.f.p, incident, &text, &t.f.err), t.f.err);
    EXPECT_ASK(text, "[.breaker | .state, .sent, .failed]", "[\"closed\",1,1]");
    pawl_free(text);
    pawl_free(id);
    trouble_done(&t);
}

TEST(holes, a_request_done_twice_because_its_answer_is_damaged)
{
    trouble t;
    char *answer = NULL;
    trouble_init(&t, NULL);
    trouble_open(&t);
    deploy(&t.f, "ask", "  - ask: {call: userTask, with: {key: ok}}\n  - again: {call: userTask, with: {key: again}}");
    char *id = start(&t.f, "ask", NULL);
    const pawl_request request = { .struct_size = sizeof request, .actor = "ann", .idempotency_key = "once" };
    const pawl_resume_options options = { .struct_size = sizeof options, .id = id, .key = "ok", .data = "{\"n\":1}" };
    EXPECT_OK(pawl_resume_with(t.f.p, &options, &request, &answer, &t.f.err), t.f.err);
    pawl_free(answer);
    fixture_close(&t.f);
    change_file(&t, "UPDATE inbox SET answer = '{\"token\":1}'");
    fixture_open(&t.f);
    EXPECT_INT(pawl_resume_with(t.f.p, &options, &request, &answer, &t.f.err), PAWL_CORRUPT);
    EXPECT_CONTAINS(t.f.err.message, "the stored answer of a request cannot be read");
    EXPECT_SHOW(&t, id, "[.status, .token]", "[\"waiting\",2]");
    pawl_free(id);
    trouble_done(&t);
}

TEST_MAIN()
