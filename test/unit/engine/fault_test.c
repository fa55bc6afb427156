/* fault_test.c - the suite "fault handler": every row of the fault table, the five fields of each result, what comes of
 * incidents, and when they leave an instance suspended. */
#include <limits.h>
#include "trouble.h"
#include "store/memory/memory.h"

static const char json[] = "Content-Type: application/json\r\n";
static const char approval[] = "  - ask: {call: userTask, with: {key: ok, assignedTo: ann, form: {schema: {type: object,"
                               " required: [yes]}}}}";

static void change(trouble *t, const char *id, pawl_change what, const char *reason, const char *status, bool repeated)
{
    char *out = NULL, expected[64];
    const pawl_request ann = { .struct_size = sizeof ann, .actor = "ann" };
    EXPECT_OK(pawl_change_with(t->f.p, id, what, reason, &ann, &out, &t->f.err), t->f.err);
    (void)snprintf(expected, sizeof expected, "[\"%s\",%s]", status, repeated ? "true" : "false");
    EXPECT_ASK(out, "[.status, .repeated]", expected);
    pawl_free(out);
}

static void expect_refused(trouble *t, const char *id, pawl_change what, const char *reason)
{
    EXPECT_INT(pawl_change_with(t->f.p, id, what, NULL, NULL, NULL, &t->f.err), PAWL_STATE);
    EXPECT_TEXT(pawl_reason_name(t->f.err.reason), reason);
}

static uint64_t commits(trouble *t)
{
    pw_store_counts counts;
    EXPECT_OK(pawl_drain(t->f.p, WAIT_MS, &t->f.err), t->f.err);
    pw_store_count(t->f.p->store, &counts);
    return counts.commits;
}

static void expect_instances(trouble *t, const char *count)
{
    char *text = NULL;
    EXPECT_OK(pawl_count(t->f.p, NULL, &text, &t->f.err), t->f.err);
    EXPECT_ASK(text, ".total", count);
    pawl_free(text);
}

/* The last command was decided again as often as the policy allows, two times, and its caller was told of it. */
static void expect_tried(trouble *t, pw_fault_kind kind)
{
    EXPECT_INT(atomic_load(&t->f.p->tried[kind].retried), 2);
    EXPECT_INT(atomic_load(&t->f.p->tried[kind].failed), 1);
    EXPECT_CONTAINS(t->f.err.message, "(tried 3 times in ");
}

/* ------------------------------------------------------------------ the table: startup */

TEST(fault_handler, startup_an_argument_a_state_or_a_definition_that_cannot_work_is_told_at_once)
{
    trouble t;
    trouble_init(&t, "memory:");
    trouble_open(&t);
    deploy_text(&t, "strict", "input: {schema: {document: {type: object, required: [n]}}}\ndo:\n  - done: {set: {ok: true}}");
    deploy_text(&t, "old", "do:\n  - done: {set: {ok: true}}");
    EXPECT_OK(pawl_definition_status(t.f.p, "old", "1.0.0", "archived", &t.f.err), t.f.err);
    const size_t size = sizeof(pawl_start_options);
    const struct {
        pawl_start_options options;
        pawl_code code;
    } cases[] = {
        { { .struct_size = size, .name = "strict", .input = "{\"m\":1}" }, PAWL_INVALID }, /* input */
        { { .struct_size = size, .name = "strict", .input = "{" }, PAWL_INVALID },         /* argument */
        { { .struct_size = size, .name = "none" }, PAWL_NOT_FOUND },                       /* definition */
        { { .struct_size = size, .name = "old" }, PAWL_STATE },                            /* invalid state */
    };
    uint64_t before = commits(&t);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        char *id = NULL;
        EXPECT_INT(pawl_start(t.f.p, &cases[i].options, &id, NULL, &t.f.err), cases[i].code);
        EXPECT(id == NULL && t.f.err.message[0]);
    }
    EXPECT_INT(commits(&t) - before, 0); /* not tried even once with the store */
    expect_instances(&t, "0");
    trouble_done(&t);
}

TEST(fault_handler, startup_a_store_that_fails_is_tried_again_and_one_instance_is_made)
{
    static const bool applied[] = { false, true };
    for (size_t i = 0; i < PW_LENGTH(applied); i++) {
        trouble t;
        trouble_init(&t, "memory:");
        trouble_open(&t);
        deploy(&t.f, "quick", "  - done: {set: {n: 1}}");
        pw_memory_fail_commit(t.f.p->store, 1, applied[i]);
        char *id = start(&t.f, "quick", NULL);
        expect_instances(&t, "1");
        EXPECT_SHOW(&t, id, "[.status, .token]", "[\"completed\",1]");
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(fault_handler, startup_a_store_that_stays_away_is_told_and_a_repeat_makes_one_instance)
{
    trouble t;
    trouble_init(&t, NULL);
    fixture_clock(&t.f, 0);
    t.resilience.retries = 2;
    t.resilience.base_delay_ms = 20;
    t.resilience.max_delay_ms = 40;
    trouble_open(&t);
    deploy(&t.f, "quick", "  - done: {set: {n: 1}}");
    const pawl_request request = { .struct_size = sizeof request, .actor = "ann", .idempotency_key = "once" };
    const pawl_start_options options = { .struct_size = sizeof options, .name = "quick", .request = &request };
    char *id = NULL;
    t.f.err.message[0] = '\0';
    fill_disk(true);
    pawl_code code = pawl_start(t.f.p, &options, &id, NULL, &t.f.err);
    fill_disk(false);
    EXPECT_INT(code, PAWL_IO);
    EXPECT(id == NULL);
    expect_tried(&t, PW_FAULT_STARTUP);
    while ((code = pawl_start(t.f.p, &options, &id, NULL, &t.f.err)) == PAWL_IO)
        ;
    EXPECT_INT(code, PAWL_OK);
    char *again = NULL;
    EXPECT_OK(pawl_start(t.f.p, &options, &again, NULL, &t.f.err), t.f.err);
    EXPECT_TEXT(again, id);
    expect_instances(&t, "1");
    pawl_free(again);
    pawl_free(id);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ the table: activity */

typedef struct row {
    int status;          /* of the answer, or of the function's error */
    const char *class_;
    unsigned attempts;   /* made */
} row;

/* `work` fails for ever with the status. */
static void expect_activity(const row *expected)
{
    trouble t;
    int statuses[12];
    char text[128];
    for (size_t i = 0; i < PW_LENGTH(statuses); i++)
        statuses[i] = expected->status;
    trouble_init(&t, "memory:");
    t.statuses = statuses;
    t.status_count = PW_LENGTH(statuses);
    trouble_open(&t);
    deploy_work(&t, "work", NULL);
    char *id = start(&t.f, "work", NULL);
    (void)drive(&t, id);
    if (trouble_runs(&t) != expected->attempts)
        fail_msg("status %d: %u attempts, not %u", expected->status, trouble_runs(&t), expected->attempts);
    (void)snprintf(text, sizeof text, "activity-fault %s %u incident open", expected->class_, expected->attempts);
    EXPECT_TEXT(faults(&t, id), text);
    (void)snprintf(text, sizeof text, "[\"faulted\",%d]", expected->status);
    EXPECT_SHOW(&t, id, "[.status, .error.status]", text);
    pawl_free(id);
    trouble_done(&t);
}

TEST(fault_handler, activity_an_argument_a_state_no_permission_or_no_support_is_not_retried_even_once)
{
    static const row rows[] = {
        { 400, "argument", 1 },       { 422, "argument", 1 },      { 409, "invalid-state", 1 },
        { 401, "not-authorized", 1 }, { 403, "not-authorized", 1 }, { 405, "not-supported", 1 },
        { 501, "not-supported", 1 },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++)
        expect_activity(&rows[i]);
}

TEST(fault_handler, activity_anything_else_is_retried_up_to_the_limit_and_is_an_incident_then)
{
    static const row rows[] = {
        { 500, "other", 4 }, { 503, "other", 4 }, { 429, "other", 4 }, { 404, "other", 4 },
        { 408, "timeout", 4 }, { 504, "timeout", 4 },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++)
        expect_activity(&rows[i]);
}

TEST(fault_handler, activity_who_fails_may_say_that_no_attempt_can_help_or_when_the_next_may_be)
{
    static const int statuses[] = { 500, 500, 500 };
    trouble t;
    trouble_init(&t, "memory:");
    t.statuses = statuses;
    t.status_count = PW_LENGTH(statuses);
    t.final = true;
    trouble_open(&t);
    deploy_work(&t, "work", NULL);
    char *id = start(&t.f, "work", NULL);
    (void)drive(&t, id);
    EXPECT_TEXT(faults(&t, id), "activity-fault business 1 incident open");
    pawl_free(id);
    (void)pthread_mutex_lock(&t.lock);
    t.final = false;
    t.retry_after_ms = 25000;
    (void)pthread_mutex_unlock(&t.lock);
    id = start(&t.f, "work", NULL);
    idle(&t, id);
    EXPECT_INT(wake_at(&t, id), TIME0 + 25000);
    EXPECT_LOG(&t, id, FAILED " | map([.shouldRetry, .retryDelayMs])", "[[true,25000]]");
    pawl_free(id);
    trouble_done(&t);
}

TEST(fault_handler, activity_an_error_that_is_no_attempt_s_is_an_incident_at_once)
{
    static const struct {
        const char *body, *class_;
    } cases[] = {
        { "  - a: {set: {n: '${ 1 / 0 }'}}", "argument" },
        { "  - a: {switch: [{x: {when: '${ .a.b | error }', then: end}}]}", "argument" },
        { "  - a: {set: {n: '${ .n }'}, output: {schema: {document: {type: object, required: [x]}}}}", "argument" },
        { "  - a: {raise: {error: {type: 'urn:x:no', status: 409, title: No}}}", "business" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        trouble t;
        char text[128];
        trouble_init(&t, "memory:");
        trouble_open(&t);
        deploy(&t.f, "bad", cases[i].body);
        char *id = start(&t.f, "bad", NULL);
        idle(&t, id);
        (void)snprintf(text, sizeof text, "activity-fault %s 0 incident open", cases[i].class_);
        EXPECT_TEXT(faults(&t, id), text);
        EXPECT_SHOW(&t, id, "[.status, .token]", "[\"faulted\",1]");
        pawl_free(id);
        trouble_done(&t);
    }
}

/* ------------------------------------------------------------------ the table: external call */

typedef struct call_row {
    const char *what, *class_;
    service_answer answer;
    unsigned attempts, requests;
} call_row;

static void expect_call(const call_row *expected)
{
    trouble t;
    char text[160], url[64];
    bool dead = strcmp(expected->what, "nobody listens") == 0;
    trouble_init(&t, "memory:");
    t.f.options.http_response_max = 1000;
    t.f.options.http_timeout_ms = expected->answer.hold ? 1000 : 0; /* each is sent within it */
    if (strcmp(expected->what, "forbidden") == 0)
        t.f.options.egress_allow = NULL;
    trouble_open(&t);
    service_on(t.s, "/pay", expected->answer);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/pay", dead ? service_dead_port() : service_port(t.s));
    deploy_call_to(&t, "pay", url, NULL);
    char *id = start(&t.f, "pay", NULL);
    (void)drive(&t, id);
    if (service_requests(t.s) != expected->requests)
        fail_msg("%s: %u requests, not %u", expected->what, service_requests(t.s), expected->requests);
    (void)snprintf(text, sizeof text, "external-call-fault %s %u incident open", expected->class_, expected->attempts);
    if (strcmp(faults(&t, id), text) != 0)
        fail_msg("%s: %s, not %s", expected->what, faults(&t, id), text);
    EXPECT_SHOW(&t, id, "[.status, (.error.type | split(\"/\") | last)]", "[\"faulted\",\"communication\"]");
    EXPECT_CONTAINS(action(&t, id), url); /* review this service */
    (void)snprintf(text, sizeof text, "pawl retry %s", id);
    EXPECT_CONTAINS(action(&t, id), text);
    pawl_free(id);
    trouble_done(&t);
}

TEST(fault_handler, external_call_what_may_pass_is_retried_five_times_and_is_an_incident_then)
{
    static const call_row rows[] = {
        { "nobody listens", "connection", { .status = 200 }, 6, 0 },
        { "no answer", "connection", { .manner = SERVICE_CLOSE }, 6, 6 },
        { "time-out", "timeout", { .hold = true }, 6, 6 },
        { "408", "timeout", { .status = 408 }, 6, 6 },
        { "429", "throttled", { .status = 429 }, 6, 6 },
        { "500", "server-error", { .status = 500 }, 6, 6 },
        { "502", "server-error", { .status = 502 }, 6, 6 },
        { "503", "server-error", { .status = 503 }, 6, 6 },
        { "504", "server-error", { .status = 504 }, 6, 6 },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++)
        expect_call(&rows[i]);
}

TEST(fault_handler, external_call_what_cannot_pass_is_sent_once)
{
    static char large[1101];
    memset(large, 'x', sizeof large - 1);
    const call_row rows[] = {
        { "400", "client-error", { .status = 400 }, 1, 1 },
        { "401", "client-error", { .status = 401 }, 1, 1 },
        { "403", "client-error", { .status = 403 }, 1, 1 },
        { "404", "client-error", { .status = 404 }, 1, 1 },
        { "409", "client-error", { .status = 409 }, 1, 1 },
        { "422", "client-error", { .status = 422 }, 1, 1 },
        { "not HTTP", "malformed-answer", { .manner = SERVICE_GARBAGE, .body = "what is this\r\n\r\n" }, 1, 1 },
        { "too large", "malformed-answer", { .body = large }, 1, 1 },
        { "bad JSON", "malformed-answer", { .headers = json, .body = "{\"paid\":" }, 1, 1 },
        { "forbidden", "forbidden-address", { .status = 200 }, 1, 0 },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++)
        expect_call(&rows[i]);
}

TEST(fault_handler, external_call_a_try_catches_the_communication_error_of_the_language)
{
    static const int statuses[] = { 404, 503 };
    for (size_t i = 0; i < PW_LENGTH(statuses); i++) {
        trouble t;
        char text[1024], expected[64];
        trouble_init(&t, "memory:");
        trouble_open(&t);
        service_on(t.s, "/pay", (service_answer){ .status = statuses[i] });
        (void)snprintf(text, sizeof text,
                       "  - all:\n"
                       "      try:\n"
                       "        - pay: {call: http, with: {method: post, endpoint: '%s', body: {}}}\n"
                       "      catch:\n"
                       "        errors: {with: {type: 'https://serverlessworkflow.io/spec/1.0.0/errors/communication'}}\n"
                       "        do:\n"
                       "          - over: {set: {status: '${ $error.status }'}}",
                       service_url(t.s, "/pay"));
        deploy(&t.f, "pay", text);
        char *id = start(&t.f, "pay", NULL);
        idle(&t, id);
        (void)snprintf(expected, sizeof expected, "[\"completed\",%d]", statuses[i]);
        EXPECT_SHOW(&t, id, "[.status, .output.status]", expected);
        EXPECT_INT(service_requests(t.s), 1); /* the try goes first: the policy takes what it leaves */
        EXPECT_TEXT(faults(&t, id), "");
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(fault_handler, external_call_a_retry_of_a_try_goes_first_and_the_policy_takes_what_it_leaves)
{
    trouble t;
    char text[1024];
    trouble_init(&t, "memory:");
    t.resilience.call_retries = 1;
    trouble_open(&t);
    service_on(t.s, "/pay", (service_answer){ .status = 503 });
    (void)snprintf(text, sizeof text,
                   "  - all:\n"
                   "      try:\n"
                   "        - pay: {call: http, with: {method: post, endpoint: '%s', body: {}}}\n"
                   "      catch:\n"
                   "        errors: {with: {status: 503}}\n"
                   "        retry: {delay: {seconds: 2}, limit: {attempt: {count: 2}}}",
                   service_url(t.s, "/pay"));
    deploy(&t.f, "pay", text);
    char *id = start(&t.f, "pay", NULL);
    (void)drive(&t, id);
    EXPECT_LOG(&t, id, "[.steps[].entries[] | select(.type == \"task.retried\") | .delayMs]", "[2000,2000]");
    EXPECT_SHOW(&t, id, ".status", "\"faulted\"");
    EXPECT_LOG(&t, id, FAILED " | map(.shouldRetry)", "[true]"); /* the try has given up: one retry of the policy */
    EXPECT_INT(service_requests(t.s), 4);
    pawl_free(id);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ the table: resume */

TEST(fault_handler, resume_what_cannot_work_is_refused_at_once_and_nothing_is_consumed)
{
    trouble t;
    trouble_init(&t, "memory:");
    trouble_open(&t);
    deploy(&t.f, "ask", approval);
    char *id = start(&t.f, "ask", NULL), *over = start(&t.f, "ask", NULL);
    EXPECT_OK(pawl_cancel(t.f.p, over, NULL, NULL, &t.f.err), t.f.err);
    const size_t size = sizeof(pawl_resume_options);
    const pawl_request bob = { .struct_size = sizeof bob, .actor = "bob", .restricted = 1 };
    const struct {
        pawl_resume_options options;
        const pawl_request *request;
        pawl_code code;
        const char *reason;
    } cases[] = {
        { { .struct_size = size, .id = id, .key = "ok", .data = "{\"no\":1}" }, NULL, PAWL_INVALID, "answer-not-valid" },
        { { .struct_size = size, .id = id, .key = "ok", .data = "{" }, NULL, PAWL_INVALID, "" },
        { { .struct_size = size, .id = id, .key = "no", .data = "{}" }, NULL, PAWL_NOT_FOUND, "no-such-bookmark" },
        { { .struct_size = size, .id = id, .key = "ok", .task = "/do/9/x" }, NULL, PAWL_CONFLICT, "wrong-task" },
        { { .struct_size = size, .id = over, .key = "ok", .data = "{\"yes\":1}" }, NULL, PAWL_STATE, "instance-ended" },
        { { .struct_size = size, .id = id, .key = "ok", .data = "{\"yes\":1}" }, &bob, PAWL_DENIED, "not-yours" },
    };
    uint64_t before = commits(&t);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        EXPECT_INT(pawl_resume_with(t.f.p, &cases[i].options, cases[i].request, NULL, &t.f.err), cases[i].code);
        EXPECT_TEXT(pawl_reason_name(t.f.err.reason), cases[i].reason);
    }
    EXPECT_INT(commits(&t) - before, 0);
    EXPECT_SHOW(&t, id, "[.status, .token, .waits[0].key]", "[\"waiting\",1,\"ok\"]");
    EXPECT_OK(pawl_resume(t.f.p, id, "ok", "{\"yes\":1}", NULL, &t.f.err), t.f.err); /* it still can be */
    pawl_free(over);
    pawl_free(id);
    trouble_done(&t);
}

TEST(fault_handler, resume_a_store_that_fails_is_tried_again_and_has_one_effect)
{
    static const bool applied[] = { false, true };
    for (size_t i = 0; i < PW_LENGTH(applied); i++) {
        trouble t;
        trouble_init(&t, "memory:");
        trouble_open(&t);
        deploy(&t.f, "ask", approval);
        char *id = start(&t.f, "ask", NULL);
        pw_memory_fail_commit(t.f.p->store, 1, applied[i]);
        EXPECT_OK(pawl_resume(t.f.p, id, "ok", "{\"yes\":1}", NULL, &t.f.err), t.f.err);
        EXPECT_SHOW(&t, id, "[.status, .token]", "[\"completed\",2]");
        EXPECT_LOG(&t, id, "[.steps[].entries[] | select(.type == \"bookmark.consumed\")] | length", "1");
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(fault_handler, resume_a_store_that_stays_away_is_told_and_nothing_is_consumed)
{
    trouble t;
    trouble_init(&t, NULL);
    fixture_clock(&t.f, 0);
    t.resilience.retries = 2;
    t.resilience.base_delay_ms = 20;
    t.resilience.max_delay_ms = 40;
    trouble_open(&t);
    deploy(&t.f, "ask", approval);
    char *id = start(&t.f, "ask", NULL);
    fill_disk(true);
    pawl_code code = pawl_resume(t.f.p, id, "ok", "{\"yes\":1}", NULL, &t.f.err);
    fill_disk(false);
    EXPECT_INT(code, PAWL_IO);
    expect_tried(&t, PW_FAULT_RESUME);
    EXPECT_TEXT(ask_file(&t, "SELECT count(*) FROM bookmark WHERE ended_ms IS NULL"), "1");
    EXPECT_TEXT(ask_file(&t, "SELECT group_concat(event) FROM step"), "start");
    while ((code = pawl_resume(t.f.p, id, "ok", "{\"yes\":2}", NULL, &t.f.err)) == PAWL_IO)
        ;
    EXPECT_INT(code, PAWL_OK); /* another answer: the first was never taken */
    EXPECT_SHOW(&t, id, "[.status, .token, .output.yes]", "[\"completed\",2,2]");
    pawl_free(id);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ what each result says */

TEST(fault_handler, each_result_has_its_five_fields_in_the_log_and_in_the_row)
{
    static const int statuses[] = { 500, 500 };
    trouble t;
    trouble_init(&t, NULL);
    t.statuses = statuses;
    t.status_count = PW_LENGTH(statuses);
    t.resilience.retries = 1;
    trouble_open(&t);
    deploy_work(&t, "work", "{retry: {delay: {seconds: 3}, limit: {attempt: {count: 1}}}}");
    char *id = start(&t.f, "work", NULL);
    (void)drive(&t, id);
    EXPECT_LOG(&t, id,
               FAILED "[0] | [.attempt, .class, .shouldRetry, .retryDelayMs, .dueAt, .error.status]",
               "[1,\"other\",true,3000,\"2027-01-15T08:00:03.000Z\",500]");
    EXPECT_LOG(&t, id, FAULT " | [.shouldRetry, has(\"retryDelayMs\"), .suspendWorkflow, .requiresManualIntervention,"
                             " (.recommendedAction | type)]",
               "[false,false,false,true,\"string\"]");
    EXPECT_LOG(&t, id, FAULT " | [.class, .attempts]", "[\"other\",2]");
    EXPECT_TEXT(faults(&t, id), "activity-fault other 2 incident open");
    EXPECT_TEXT(ask_file(&t, "SELECT action = (SELECT json_extract(entry, '$.recommendedAction') FROM execution_log WHERE"
                             " json_extract(entry, '$.requiresManualIntervention') ORDER BY sequence DESC, ordinal DESC"
                             " LIMIT 1) FROM fault"),
                "1");
    EXPECT_INCIDENTS(&t, id, "[.incidents[] | [.type, .class, .attempts, .decision, .open, .task, .status]]",
                     "[[\"activity-fault\",\"other\",2,\"incident\",true,\"/do/0/do\",\"faulted\"]]");
    pawl_free(id);
    trouble_done(&t);
}

TEST(fault_handler, the_recommended_action_names_task_service_and_the_command_to_type)
{
    trouble t;
    char command[64], endpoint[64];
    static const int statuses[] = { 422 };
    trouble_init(&t, "memory:");
    t.statuses = statuses;
    t.status_count = 1;
    t.resilience.call_retries = 0;
    trouble_open(&t);
    service_on(t.s, "/pay", (service_answer){ .status = 503 });
    deploy_call(&t, "pay", "/pay", NULL);
    deploy_work(&t, "work", NULL);
    char *pay = start(&t.f, "pay", NULL), *work = start(&t.f, "work", NULL);
    idle(&t, pay);
    idle(&t, work);
    (void)snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", service_port(t.s));
    EXPECT_CONTAINS(action(&t, pay), endpoint);
    EXPECT_CONTAINS(action(&t, pay), "pay");
    EXPECT_CONTAINS(action(&t, pay), "503");
    (void)snprintf(command, sizeof command, "pawl retry %s", pay);
    EXPECT_CONTAINS(action(&t, pay), command);
    (void)snprintf(command, sizeof command, "pawl fail %s", pay);
    EXPECT_CONTAINS(action(&t, pay), command);
    EXPECT_CONTAINS(action(&t, work), "/do/0/do");
    EXPECT_CONTAINS(action(&t, work), "work");
    (void)snprintf(command, sizeof command, "pawl retry %s", work);
    EXPECT_CONTAINS(action(&t, work), command);
    pawl_free(work);
    pawl_free(pay);
    trouble_done(&t);
}

TEST(fault_handler, every_row_of_the_table_can_be_another)
{
    static const struct {
        const char *faults;
        int status; /* of `work`; 0: the service's 503 */
        unsigned attempts;
        const char *fault;
    } cases[] = {
        { "{\"activity:argument\":\"retry\"}", 422, 4, "activity-fault argument 4 incident open" },
        { "{\"activity:other\":\"incident\"}", 500, 1, "activity-fault other 1 incident open" },
        { "{\"activity:other\":\"suspend\"}", 500, 1, "activity-fault other 1 suspend open" },
        { "{\"activity:other\":\"retry-at-once\"}", 500, 4, "activity-fault other 4 incident open" },
        { "{\"external-call:server-error\":\"incident\"}", 0, 1, "external-call-fault server-error 1 incident open" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        trouble t;
        int statuses[8];
        for (size_t j = 0; j < PW_LENGTH(statuses); j++)
            statuses[j] = cases[i].status;
        trouble_init(&t, "memory:");
        t.statuses = statuses;
        t.status_count = PW_LENGTH(statuses);
        t.resilience.faults = cases[i].faults;
        trouble_open(&t);
        service_on(t.s, "/pay", (service_answer){ .status = 503 });
        if (cases[i].status)
            deploy_work(&t, "do", NULL);
        else
            deploy_call(&t, "do", "/pay", NULL);
        char *id = start(&t.f, "do", NULL);
        unsigned moves = drive(&t, id);
        EXPECT_INT(cases[i].status ? trouble_runs(&t) : service_requests(t.s), cases[i].attempts);
        EXPECT_TEXT(faults(&t, id), cases[i].fault);
        if (strstr(cases[i].faults, "at-once"))
            EXPECT_INT(moves, 0); /* without any delay */
        EXPECT_SHOW(&t, id, ".status", strstr(cases[i].faults, "suspend") ? "\"suspended\"" : "\"faulted\"");
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(fault_handler, a_table_that_cannot_be_is_refused_at_open)
{
    static const char *const bad[] = { "{\"activity:nothing\":\"retry\"}", "{\"activity\":\"retry\"}",
                                       "{\"activity:other\":\"perhaps\"}", "{\"activity:other\":1}", "[]", "{" };
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        trouble t;
        trouble_init(&t, "memory:");
        t.resilience.faults = bad[i];
        EXPECT_INT(pawl_open(&t.f.p, &t.f.options, &t.f.err), PAWL_INVALID);
        EXPECT(t.f.p == NULL && t.f.err.message[0]);
        trouble_done(&t);
    }
}

/* ------------------------------------------------------------------ counters */

TEST(fault_handler, the_counter_and_the_time_of_the_next_attempt_survive_every_restart)
{
    static const int statuses[] = { 500, 500, 500, 500, 500 };
    trouble t;
    trouble_init(&t, NULL);
    t.statuses = statuses;
    t.status_count = PW_LENGTH(statuses);
    trouble_open(&t);
    deploy_work(&t, "work", "{retry: {delay: {seconds: 60}, limit: {attempt: {count: 3}}}}");
    char *id = start(&t.f, "work", NULL);
    for (unsigned attempt = 1; attempt <= 3; attempt++) {
        idle(&t, id);
        EXPECT_INT(trouble_runs(&t), attempt);
        EXPECT_INT(wake_at(&t, id), TIME0 + 60000 * (int64_t)attempt);
        trouble_again(&t);
        EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
        EXPECT_INT(trouble_runs(&t), attempt); /* a restart is no attempt */
        EXPECT_INT(wake_at(&t, id), TIME0 + 60000 * (int64_t)attempt);
        go_on(&t, id);
    }
    EXPECT_INT(trouble_runs(&t), 4);
    EXPECT_TEXT(faults(&t, id), "activity-fault other 4 incident open");
    for (unsigned i = 0; i < 4; i++) {
        EXPECT_INT(t.attempts[i], i + 1);
        EXPECT_TEXT(t.keys[i], t.keys[0]);
    }
    trouble_again(&t);
    EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
    EXPECT_INT(trouble_runs(&t), 4); /* nor does it retry an incident */
    pawl_free(id);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ suspension */

static void init_failing(trouble *t, const char *store, const int *statuses, size_t count)
{
    trouble_init(t, store);
    t->statuses = statuses;
    t->status_count = count;
    trouble_open(t);
    deploy_work(t, "work", NULL);
}

TEST(fault_handler, the_fifth_incident_within_thirty_minutes_leaves_it_suspended_and_an_operator_continues)
{
    static const int statuses[] = { 422, 422, 422, 422, 422 };
    trouble t;
    init_failing(&t, NULL, statuses, 5);
    char *id = start(&t.f, "work", NULL);
    idle(&t, id);
    for (int i = 1; i <= 4; i++) {
        EXPECT_SHOW(&t, id, ".status", "\"faulted\"");
        forward(&t, 7 * 60000); /* the fifth: 28 minutes after the first */
        if (i == 2)
            trouble_again(&t); /* the times survive */
        change(&t, id, PAWL_RETRY, NULL, "waiting", false);
        idle(&t, id);
    }
    EXPECT_INT(trouble_runs(&t), 5);
    EXPECT_SHOW(&t, id, ".status", "\"suspended\"");
    EXPECT_TEXT(faults(&t, id), "activity-fault argument 1 incident retried\nactivity-fault argument 1 incident retried\n"
                                "activity-fault argument 1 incident retried\nactivity-fault argument 1 incident retried\n"
                                "activity-fault argument 1 suspend open");
    EXPECT_LOG(&t, id, FAULT " | [.shouldRetry, .suspendWorkflow, .requiresManualIntervention]", "[false,true,true]");
    EXPECT_LOG(&t, id, "[.steps[-1].entries[] | select(.type == \"instance.suspended\") | (.reason | length > 0)]", "[true]");
    EXPECT_TEXT(ask_file(&t, "SELECT count(*) FROM outbox WHERE type = 'io.serverlessworkflow.workflow.suspended.v1'"), "1");
    forward(&t, 86400000);
    trouble_again(&t);
    EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
    EXPECT_INT(trouble_runs(&t), 5); /* nothing retries it by itself */
    EXPECT_SHOW(&t, id, ".status", "\"suspended\"");
    EXPECT_OK(pawl_continue(t.f.p, id, "ann", "the data are mended", &t.f.err), t.f.err);
    char *text = finish(&t.f, id);
    EXPECT_ASK(text, "[.status, .output.attempt]", "[\"completed\",1]");
    EXPECT_CONTAINS(faults(&t, id), "activity-fault argument 1 suspend continued");
    pawl_free(text);
    pawl_free(id);
    trouble_done(&t);
}

TEST(fault_handler, five_incidents_that_are_further_apart_do_not_suspend)
{
    static const int statuses[] = { 422, 422, 422, 422, 422, 422, 422 };
    trouble t;
    init_failing(&t, "memory:", statuses, 7);
    char *id = start(&t.f, "work", NULL);
    idle(&t, id);
    for (int i = 1; i <= 6; i++) { /* four within any thirty minutes */
        EXPECT_SHOW(&t, id, ".status", "\"faulted\"");
        forward(&t, 8 * 60000);
        change(&t, id, PAWL_RETRY, NULL, "waiting", false);
        idle(&t, id);
    }
    EXPECT_INT(trouble_runs(&t), 7);
    EXPECT_SHOW(&t, id, ".status", "\"faulted\"");
    pawl_free(id);
    trouble_done(&t);
}

TEST(fault_handler, retries_are_no_incidents_and_do_not_count_for_the_suspension)
{
    static const int statuses[] = { 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500 };
    trouble t;
    trouble_init(&t, "memory:");
    t.statuses = statuses;
    t.status_count = PW_LENGTH(statuses);
    t.resilience.retries = 9;
    t.resilience.base_delay_ms = 1;
    trouble_open(&t);
    deploy_work(&t, "work", NULL);
    char *id = start(&t.f, "work", NULL);
    (void)drive(&t, id);
    EXPECT_TEXT(faults(&t, id), "activity-fault other 10 incident open");
    EXPECT_SHOW(&t, id, ".status", "\"faulted\"");
    pawl_free(id);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ incidents */

TEST(fault_handler, an_incident_is_retried_from_its_first_attempt_with_the_same_key)
{
    static const int statuses[] = { 500, 500, 422 };
    trouble t;
    trouble_init(&t, NULL);
    t.statuses = statuses;
    t.status_count = 3;
    t.resilience.retries = 1;
    trouble_open(&t);
    deploy_work(&t, "work", NULL);
    char *id = start(&t.f, "work", NULL);
    (void)drive(&t, id);
    EXPECT_TEXT(faults(&t, id), "activity-fault other 2 incident open");
    trouble_again(&t);
    change(&t, id, PAWL_RETRY, "try once more", "waiting", false);
    idle(&t, id);
    EXPECT_SHOW(&t, id, ".status", "\"faulted\""); /* and again */
    change(&t, id, PAWL_RETRY, "and now", "waiting", false);
    char *text = finish(&t.f, id);
    EXPECT_ASK(text, "[.status, .output.attempt]", "[\"completed\",1]");
    EXPECT_TEXT(faults(&t, id), "activity-fault other 2 incident retried\nactivity-fault argument 1 incident retried");
    for (unsigned i = 0; i < 4; i++)
        EXPECT_TEXT(t.keys[i], t.keys[0]);
    EXPECT_INT(t.attempts[2], 1);
    EXPECT_LOG(&t, id, "[.steps[] | select(.event == \"retry\") | [.actor, ([.entries[].reason // empty] | first)]]",
               "[[\"ann\",\"try once more\"],[\"ann\",\"and now\"]]");
    EXPECT_INCIDENTS(&t, id, "[.incidents[] | [.open, .resolution, .resolvedBy]] | unique", "[[false,\"retried\",\"ann\"]]");
    expect_refused(&t, id, PAWL_RETRY, "instance-ended"); /* well */
    pawl_free(text);
    pawl_free(id);
    trouble_done(&t);
}

TEST(fault_handler, an_incident_that_is_given_up_is_faulted_for_good)
{
    static const int statuses[] = { 422 };
    trouble t;
    init_failing(&t, NULL, statuses, 1);
    char *id = start(&t.f, "work", NULL);
    idle(&t, id);
    EXPECT_INT(pawl_delete(t.f.p, id, NULL, &t.f.err), PAWL_STATE);
    EXPECT_TEXT(pawl_reason_name(t.f.err.reason), "open-incident");
    change(&t, id, PAWL_FAIL, "not worth it", "faulted", false);
    change(&t, id, PAWL_FAIL, "not worth it", "faulted", true);
    EXPECT_TEXT(faults(&t, id), "activity-fault argument 1 incident failed");
    EXPECT_LOG(&t, id, "[.steps[] | select(.event == \"fail\") | .actor]", "[\"ann\"]");
    expect_refused(&t, id, PAWL_RETRY, "instance-ended");
    EXPECT_INT(trouble_runs(&t), 1);
    EXPECT_OK(pawl_delete(t.f.p, id, NULL, &t.f.err), t.f.err);
    pawl_free(id);
    trouble_done(&t);
}

TEST(fault_handler, an_instance_with_an_incident_can_be_cancelled)
{
    static const int statuses[] = { 422 };
    trouble t;
    init_failing(&t, NULL, statuses, 1);
    char *id = start(&t.f, "work", NULL);
    idle(&t, id);
    change(&t, id, PAWL_CANCEL, "no more", "cancelled", false);
    EXPECT_TEXT(faults(&t, id), "activity-fault argument 1 incident cancelled");
    expect_refused(&t, id, PAWL_RETRY, "instance-ended");
    expect_refused(&t, id, PAWL_FAIL, "instance-ended");
    pawl_free(id);
    trouble_done(&t);
}

TEST(fault_handler, what_does_not_fail_has_no_incident_to_retry_or_give_up)
{
    trouble t;
    trouble_init(&t, "memory:");
    trouble_open(&t);
    deploy(&t.f, "ask", approval);
    char *id = start(&t.f, "ask", NULL);
    expect_refused(&t, id, PAWL_RETRY, "no-incident");
    expect_refused(&t, id, PAWL_FAIL, "no-incident");
    EXPECT_SHOW(&t, id, "[.status, .token]", "[\"waiting\",1]");
    pawl_free(id);
    trouble_done(&t);
}

TEST(fault_handler, a_retry_of_what_waits_for_its_next_attempt_makes_it_now)
{
    static const int statuses[] = { 500 };
    trouble t;
    trouble_init(&t, NULL);
    t.statuses = statuses;
    t.status_count = 1;
    trouble_open(&t);
    deploy_work(&t, "work", "{retry: {delay: {hours: 1}, limit: {attempt: {count: 3}}}}");
    char *id = start(&t.f, "work", NULL);
    idle(&t, id);
    EXPECT_INT(wake_at(&t, id), TIME0 + 3600000);
    EXPECT_OK(pawl_change_with(t.f.p, id, PAWL_RETRY, "now, please", NULL, NULL, &t.f.err), t.f.err);
    char *text = finish(&t.f, id);
    EXPECT_ASK(text, "[.status, .output.attempt]", "[\"completed\",2]");
    pawl_free(text);
    pawl_free(id);
    trouble_done(&t);
}

TEST(fault_handler, branches_in_flight_are_parked_and_their_results_kept)
{
    static const int statuses[] = { 422 };
    trouble t;
    trouble_init(&t, NULL);
    t.statuses = statuses;
    t.status_count = 1;
    trouble_open(&t);
    deploy(&t.f, "both",
           "  - all:\n"
           "      fork:\n"
           "        branches:\n"
           "          - slow: {call: gate, with: {}}\n"
           "          - ask: {call: userTask, with: {key: ok}}\n"
           "          - bad: {call: work, with: {}}");
    char *id = start(&t.f, "both", NULL);
    gate_wait_entered(&t.f.gate, 1);
    until_same(&t, ask_show, id, ".status", "\"faulted\"");
    gate_open(&t.f.gate, UINT_MAX);
    EXPECT_OK(pawl_resume(t.f.p, id, "ok", "{\"yes\":1}", NULL, &t.f.err), t.f.err);
    EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
    EXPECT_LOG(&t, id, "[.steps[].entries[] | select(.type == \"result.kept\") | .task] | length > 0", "true");
    EXPECT_SHOW(&t, id, ".status", "\"faulted\"");
    trouble_again(&t);
    change(&t, id, PAWL_RETRY, NULL, "waiting", false);
    char *text = finish(&t.f, id);
    EXPECT_ASK(text, "[.status, .output[0].attempt, .output[1].yes, .output[2].attempt]", "[\"completed\",1,1,1]");
    EXPECT_INT(gate_entered(&t.f.gate), 1); /* done once, and not again */
    EXPECT_INT(trouble_runs(&t), 2);
    pawl_free(text);
    pawl_free(id);
    trouble_done(&t);
}

TEST(fault_handler, who_is_cancelled_or_loses_a_race_makes_no_further_attempt)
{
    static const int statuses[] = { 500, 500, 500, 500 };
    trouble t;
    trouble_init(&t, NULL);
    t.statuses = statuses;
    t.status_count = PW_LENGTH(statuses);
    trouble_open(&t);
    deploy_work(&t, "work", "{retry: {delay: {seconds: 10}, limit: {attempt: {count: 3}}}}");
    deploy(&t.f, "race",
           "  - race:\n"
           "      fork:\n"
           "        compete: true\n"
           "        branches:\n"
           "          - bad: {call: work, with: {}, metadata: {pawl: {resilience: {retry: {delay: {seconds: 10},"
           " limit: {attempt: {count: 3}}}}}}}\n"
           "          - good: {call: gate, with: {}}");
    char *cancelled = start(&t.f, "work", NULL), *race = start(&t.f, "race", NULL);
    idle(&t, cancelled);
    until_same(&t, ask_log, race, FAILED " | length", "1");
    EXPECT_OK(pawl_cancel(t.f.p, cancelled, NULL, NULL, &t.f.err), t.f.err);
    gate_open(&t.f.gate, UINT_MAX);
    char *text = finish(&t.f, race);
    EXPECT_ASK(text, ".status", "\"completed\"");
    forward(&t, 3600000);
    trouble_again(&t);
    EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
    EXPECT_INT(trouble_runs(&t), 2);
    EXPECT_SHOW(&t, cancelled, ".status", "\"cancelled\"");
    EXPECT_TEXT(faults(&t, race), "");
    pawl_free(text);
    pawl_free(race);
    pawl_free(cancelled);
    trouble_done(&t);
}

TEST(fault_handler, branches_are_retried_each_by_its_own_count_and_time)
{
    enum { BRANCHES = 20 };
    trouble t;
    pw_buf body;
    trouble_init(&t, NULL);
    trouble_open(&t);
    pw_buf_init(&body, 0);
    pw_buf_text(&body, "  - all:\n      fork:\n        branches:\n");
    for (int i = 0; i < BRANCHES; i++) { /* the nth fails n % 3 times, and waits n + 1 seconds each time */
        char path[16];
        (void)snprintf(path, sizeof path, "/b%d", i);
        if (i % 3)
            service_on(t.s, path, (service_answer){ .status = 503, .times = (unsigned)i % 3 });
        service_on(t.s, path, (service_answer){ .headers = json, .body = "1" });
        pw_buf_printf(&body,
                      "          - b%d: {call: http, with: {method: post, endpoint: '%s', body: {}}, metadata: {pawl:"
                      " {resilience: {circuitBreaker: {minimumThroughput: 1000}, retry: {delay: {seconds: %d},"
                      " limit: {attempt: {count: 2}}}}}}}\n",
                      i, service_url(t.s, path), i + 1);
    }
    pw_buf_char(&body, '\0');
    deploy(&t.f, "all", body.ptr);
    pw_buf_done(&body);
    char *id = start(&t.f, "all", NULL);
    idle(&t, id);
    EXPECT_INT(wake_at(&t, id), TIME0 + 2000); /* the first of those who wait: b1 */
    trouble_again(&t);
    (void)drive(&t, id);
    EXPECT_SHOW(&t, id, "[.status, (.output | add)]", "[\"completed\",20]");
    EXPECT_INT(service_requests(t.s), BRANCHES + 7 + 2 * 6);
    EXPECT_LOG(&t, id, FAILED " | [(map(.task) | unique | length), (map(.attempt) | max), length]", "[13,2,19]");
    EXPECT_LOG(&t, id, "[" FAILED "[] | select(.task | endswith(\"/b19\")) | [.attempt, .retryDelayMs]]", "[[1,20000]]");
    pawl_free(id);
    trouble_done(&t);
}

typedef struct operators {
    trouble *t;
    const char *id;
    pawl_code codes[8];
} operators;

static void retry_too(void *context, unsigned number)
{
    operators *o = context;
    pawl_error err;
    o->codes[number] = pawl_change_with(o->t->f.p, o->id, PAWL_RETRY, NULL, NULL, NULL, &err);
}

TEST(fault_handler, of_operators_who_retry_at_once_one_has_the_effect)
{
    static const int statuses[] = { 422 };
    trouble t;
    init_failing(&t, NULL, statuses, 1);
    deploy(&t.f, "both", "  - bad: {call: work, with: {}}\n  - then: {call: gate, with: {}}");
    char *id = start(&t.f, "both", NULL);
    idle(&t, id);
    operators o = { .t = &t, .id = id };
    crew_run(8, retry_too, &o);
    unsigned good = 0;
    for (int i = 0; i < 8; i++) {
        good += o.codes[i] == PAWL_OK;
        EXPECT(o.codes[i] == PAWL_OK || o.codes[i] == PAWL_STATE);
    }
    EXPECT_INT(good, 1);
    gate_open(&t.f.gate, UINT_MAX);
    char *text = finish(&t.f, id);
    EXPECT_ASK(text, ".status", "\"completed\"");
    EXPECT_INT(trouble_runs(&t), 2);
    EXPECT_TEXT(faults(&t, id), "activity-fault argument 1 incident retried");
    pawl_free(text);
    pawl_free(id);
    trouble_done(&t);
}

TEST(fault_handler, what_fails_in_the_workflow_itself_can_be_retried_too)
{
    trouble t;
    trouble_init(&t, NULL);
    trouble_open(&t);
    deploy_text(&t, "hurry", "timeout: {after: {seconds: 10}}\ndo:\n  - work: {call: gate, with: {}}");
    char *id = start(&t.f, "hurry", NULL);
    gate_wait_entered(&t.f.gate, 1);
    forward(&t, 10000);
    until_same(&t, ask_show, id, ".status", "\"faulted\"");
    EXPECT_SHOW(&t, id, "[.status, .error.status, (.error.type | split(\"/\") | last)]", "[\"faulted\",408,\"timeout\"]");
    EXPECT_TEXT(faults(&t, id), "activity-fault timeout 0 incident open");
    trouble_again(&t);
    EXPECT_OK(pawl_change_with(t.f.p, id, PAWL_RETRY, NULL, NULL, NULL, &t.f.err), t.f.err);
    gate_open(&t.f.gate, UINT_MAX);
    char *text = finish(&t.f, id);
    EXPECT_ASK(text, ".status", "\"completed\"");
    EXPECT_TEXT(faults(&t, id), "activity-fault timeout 0 incident retried");
    pawl_free(text);
    pawl_free(id);
    trouble_done(&t);
}

TEST(fault_handler, the_parent_of_a_child_that_failed_is_told_and_may_be_retried)
{
    static const int statuses[] = { 422 };
    trouble t;
    trouble_init(&t, NULL);
    t.statuses = statuses;
    t.status_count = 1;
    trouble_open(&t);
    deploy_work(&t, "child", NULL);
    deploy(&t.f, "parent", "  - run: {run: {workflow: {namespace: test, name: child, version: 1.0.0}}}");
    char *id = start(&t.f, "parent", NULL);
    until_same(&t, ask_show, id, ".status", "\"faulted\"");
    EXPECT_SHOW(&t, id, ".error.status", "422");
    EXPECT_TEXT(ask_file(&t, "SELECT group_concat(class) FROM (SELECT class FROM fault WHERE kind = 'activity-fault' ORDER BY class)"),
                "argument,other");
    EXPECT_OK(pawl_change_with(t.f.p, id, PAWL_RETRY, NULL, NULL, NULL, &t.f.err), t.f.err); /* another child */
    char *text = finish(&t.f, id);
    EXPECT_ASK(text, "[.status, .output.attempt]", "[\"completed\",1]");
    EXPECT_TEXT(ask_file(&t, "SELECT count(*) FROM instance WHERE name = 'child'"), "2");
    pawl_free(text);
    pawl_free(id);
    trouble_done(&t);
}

TEST(fault_handler, a_try_goes_before_the_policy_for_functions_too)
{
    static const int statuses[] = { 500 };
    trouble t;
    trouble_init(&t, "memory:");
    t.statuses = statuses;
    t.status_count = 1;
    trouble_open(&t);
    deploy(&t.f, "careful",
           "  - all:\n"
           "      try:\n"
           "        - bad: {call: work, with: {}}\n"
           "      catch:\n"
           "        do:\n"
           "          - over: {set: {caught: true}}");
    char *id = start(&t.f, "careful", NULL);
    idle(&t, id);
    EXPECT_SHOW(&t, id, "[.status, .output.caught]", "[\"completed\",true]");
    EXPECT_INT(trouble_runs(&t), 1);
    EXPECT_TEXT(faults(&t, id), "");
    pawl_free(id);
    trouble_done(&t);
}

TEST_MAIN()
