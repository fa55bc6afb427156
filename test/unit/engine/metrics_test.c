/* metrics_test.c - what is counted where it happens, and what pawl_metrics says of it. The text itself is tried in
 * test/unit/watch, and with Prometheus' own tools in test/cli/metrics.py. */
#include <sqlite3.h>
#include "trouble.h"
#include "store/store_internal.h"

/* The value of one sample, as text; "none": there is no such sample. Valid until the next call. */
static const char *sample(trouble *t, const char *name)
{
    static char value[64];
    char *text = NULL, line[512];
    EXPECT_OK(pawl_metrics(t->f.p, &text, &t->f.err), t->f.err);
    (void)snprintf(line, sizeof line, "\n%s ", name);
    const char *found = strstr(text, line);
    (void)snprintf(value, sizeof value, "none");
    if (found) {
        found += strlen(line);
        (void)snprintf(value, sizeof value, "%.*s", (int)strcspn(found, "\n"), found);
        EXPECT(strstr(found, line) == NULL); /* no sample is there twice */
    }
    pawl_free(text);
    return value;
}
#define EXPECT_SAMPLE(t, name, value) EXPECT_TEXT(sample((t), (name)), (value))

static const char *ask_sample(trouble *t, const char *none, const char *name)
{
    (void)none;
    return sample(t, name);
}
/* Of what others have a part in, who go on in the background. */
#define UNTIL_SAMPLE(t, name, value) until_same((t), ask_sample, NULL, (name), (value))

/* What is counted in the store is counted anew. */
static void count_anew(trouble *t)
{
    (void)pthread_mutex_lock(&t->f.p->counts->lock);
    t->f.p->counts->good_until_ns = 0;
    (void)pthread_mutex_unlock(&t->f.p->counts->lock);
}

static void act(trouble *t, const char *id, pawl_change what)
{
    const pawl_request request = { .struct_size = sizeof request, .actor = "ann" };
    EXPECT_OK(pawl_change_with(t->f.p, id, what, "because", &request, NULL, &t->f.err), t->f.err);
}

static char *run_one(trouble *t, const char *name)
{
    char *id = start(&t->f, name, NULL);
    pawl_free(finish(&t->f, id));
    return id;
}

/* ------------------------------------------------------------------ workflows */

TEST(metrics_of_the_engine, what_is_started_and_ends_is_counted_by_status_and_by_definition)
{
    trouble t;
    trouble_init(&t, "memory:");
    trouble_open(&t);
    deploy(&t.f, "good", "  - a: {set: {n: 1}}");
    deploy(&t.f, "bad", "  - a: {call: failing, with: {n: 1}}");
    deploy(&t.f, "long", "  - a: {wait: {hours: 1}}");
    pawl_free(run_one(&t, "good"));
    pawl_free(run_one(&t, "good"));
    pawl_free(run_one(&t, "bad"));
    char *waits = start(&t.f, "long", NULL), *gone = start(&t.f, "long", NULL);
    idle(&t, waits);
    idle(&t, gone);
    act(&t, gone, PAWL_CANCEL);
    EXPECT_SAMPLE(&t, "pawl_instances_started_total", "5");
    EXPECT_SAMPLE(&t, "pawl_instances_ended_total{status=\"completed\"}", "2");
    EXPECT_SAMPLE(&t, "pawl_instances_ended_total{status=\"faulted\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_instances_ended_total{status=\"cancelled\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_instances_ended_total{status=\"compensated\"}", "0");
    EXPECT_SAMPLE(&t, "pawl_instances_ended_total{status=\"waiting\"}", "none");
    EXPECT_SAMPLE(&t, "pawl_workflow_started_total{workflow=\"test/good\"}", "2");
    EXPECT_SAMPLE(&t, "pawl_workflow_started_total{workflow=\"test/long\"}", "2");
    EXPECT_SAMPLE(&t, "pawl_workflow_ended_total{status=\"completed\",workflow=\"test/good\"}", "2");
    EXPECT_SAMPLE(&t, "pawl_workflow_ended_total{status=\"faulted\",workflow=\"test/bad\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_workflow_ended_total{status=\"cancelled\",workflow=\"test/long\"}", "1");
    count_anew(&t);
    EXPECT_SAMPLE(&t, "pawl_instances{status=\"waiting\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_instances{status=\"running\"}", "0");
    EXPECT_SAMPLE(&t, "pawl_instances{status=\"completed\"}", "none");
    EXPECT_SAMPLE(&t, "pawl_incidents_open", "1");
    /* good: 1 step; bad: start, incident; long: start, and of one its end */
    EXPECT_SAMPLE(&t, "pawl_step_seconds_count", "7");
    EXPECT_SAMPLE(&t, "pawl_store_committed_steps_total", "7");
    pawl_free(waits);
    pawl_free(gone);
    trouble_done(&t);
}

TEST(metrics_of_the_engine, an_incident_is_counted_when_it_opens_when_it_is_over_and_with_what_people_do)
{
    trouble t;
    const int fails[] = { 409, 0, 409, 0 };
    trouble_init(&t, "memory:");
    t.statuses = fails;
    t.status_count = PW_LENGTH(fails);
    t.final = true;
    trouble_open(&t);
    deploy_work(&t, "work", NULL);
    char *id = run_one(&t, "work");
    EXPECT_SAMPLE(&t, "pawl_instances_ended_total{status=\"faulted\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_incidents_opened_total", "1");
    EXPECT_SAMPLE(&t, "pawl_incidents_resolved_total", "0");
    EXPECT_SAMPLE(&t, "pawl_faults_total{kind=\"activity-fault\",class=\"business\",decision=\"incident\"}", "1");
    act(&t, id, PAWL_RETRY);
    pawl_free(finish(&t.f, id));
    EXPECT_SAMPLE(&t, "pawl_incidents_resolved_total", "1");
    EXPECT_SAMPLE(&t, "pawl_instances_ended_total{status=\"completed\"}", "1"); /* it has ended twice */
    EXPECT_SAMPLE(&t, "pawl_manual_actions_total{action=\"retry\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_manual_actions_total{action=\"cancel\"}", "0");
    EXPECT_SAMPLE(&t, "pawl_manual_actions_total{action=\"timer\"}", "none");
    pawl_free(id);
    id = run_one(&t, "work");
    act(&t, id, PAWL_FAIL); /* it was faulted, and stays so: no second end */
    EXPECT_SAMPLE(&t, "pawl_instances_ended_total{status=\"faulted\"}", "2");
    EXPECT_SAMPLE(&t, "pawl_incidents_resolved_total", "2");
    pawl_free(id);
    trouble_done(&t);
}

TEST(metrics_of_the_engine, attempts_that_the_policy_repeats_are_counted_by_type_and_class)
{
    trouble t;
    const int fails[] = { 500, 500, 0 };
    trouble_init(&t, "memory:");
    t.statuses = fails;
    t.status_count = PW_LENGTH(fails);
    trouble_open(&t);
    deploy_work(&t, "work", NULL);
    char *id = start(&t.f, "work", NULL);
    idle(&t, id);
    EXPECT_INT(drive(&t, id), 2);
    EXPECT_SAMPLE(&t, "pawl_faults_total{kind=\"activity-fault\",class=\"other\",decision=\"retry\"}", "2");
    EXPECT_SAMPLE(&t, "pawl_faults_total{kind=\"activity-fault\",class=\"other\",decision=\"incident\"}", "none");
    EXPECT_SAMPLE(&t, "pawl_incidents_opened_total", "0");
    EXPECT_SAMPLE(&t, "pawl_instances_ended_total{status=\"completed\"}", "1");
    pawl_free(id);
    trouble_done(&t);
}

TEST(metrics_of_the_engine, a_fault_that_suspends_is_a_failure_of_the_instance)
{
    trouble t;
    trouble_init(&t, "memory:");
    t.resilience.suspend_after = 1;
    trouble_open(&t);
    deploy(&t.f, "bad", "  - a: {call: failing, with: {n: 1}}");
    char *id = start(&t.f, "bad", NULL);
    EXPECT_OK(pawl_wait(t.f.p, id, PAWL_WAIT_SETTLED, WAIT_MS, NULL, &t.f.err), t.f.err);
    EXPECT_SHOW(&t, id, ".status", "\"suspended\"");
    EXPECT_SAMPLE(&t, "pawl_faults_total{kind=\"activity-fault\",class=\"argument\",decision=\"suspend\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_instances_ended_total{status=\"faulted\"}", "1");
    act(&t, id, PAWL_CANCEL);
    EXPECT_SAMPLE(&t, "pawl_instances_ended_total{status=\"cancelled\"}", "1");
    pawl_free(id);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ calls */

TEST(metrics_of_the_engine, calls_are_counted_by_service_and_by_what_came_of_them)
{
    trouble t;
    char name[512];
    trouble_init(&t, "memory:");
    trouble_open(&t);
    service_on(t.s, "/pay", (service_answer){ .status = 503, .times = 1 });
    service_on(t.s, "/pay", (service_answer){ .status = 200 });
    service_on(t.s, "/no", (service_answer){ .status = 404 });
    deploy_call(&t, "pay", "/pay", NULL);
    deploy_call(&t, "no", "/no", NULL);
    char *id = start(&t.f, "pay", NULL);
    idle(&t, id);
    EXPECT_INT(drive(&t, id), 1);
    pawl_free(id);
    pawl_free(run_one(&t, "no"));
    static const struct {
        const char *family, *result, *value;
    } wanted[] = {
        { "pawl_calls_total", ",result=\"success\"", "1" },
        { "pawl_calls_total", ",result=\"failure\"", "1" },
        { "pawl_calls_total", ",result=\"rejected\"", "1" },
        { "pawl_calls_total", ",result=\"refused\"", "0" },
        { "pawl_call_retries_total", "", "1" },
        { "pawl_call_seconds_count", "", "3" },
        { "pawl_calls_waiting", "", "0" },
        { "pawl_breaker_state", "", "0" },
        { "pawl_breaker_opened_total", "", "0" },
    };
    for (size_t i = 0; i < PW_LENGTH(wanted); i++) {
        (void)snprintf(name, sizeof name, "%s{service=\"http://127.0.0.1:%d\"%s}", wanted[i].family, service_port(t.s),
                       wanted[i].result);
        if (strcmp(sample(&t, name), wanted[i].value) != 0)
            fail_msg("%s is %s", name, sample(&t, name));
    }
    EXPECT_SAMPLE(&t, "pawl_faults_total{kind=\"external-call-fault\",class=\"server-error\",decision=\"retry\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_faults_total{kind=\"external-call-fault\",class=\"client-error\",decision=\"incident\"}", "1");
    trouble_done(&t);
}

TEST(metrics_of_the_engine, a_breaker_that_opens_is_counted_and_its_state_is_shown)
{
    trouble t;
    trouble_init(&t, "memory:");
    t.resilience.breaker_failures = 2;
    t.resilience.breaker_throughput = 2;
    trouble_open(&t);
    service_on(t.s, "/pay", (service_answer){ .status = 503 });
    deploy_call(&t, "pay", "/pay", "{circuitBreaker: {name: shop}, retry: {limit: {attempt: {count: 0}}}}");
    pawl_free(run_one(&t, "pay"));
    EXPECT_SAMPLE(&t, "pawl_breaker_state{service=\"shop\"}", "0");
    pawl_free(run_one(&t, "pay"));
    EXPECT_SAMPLE(&t, "pawl_breaker_state{service=\"shop\"}", "2");
    EXPECT_SAMPLE(&t, "pawl_breaker_opened_total{service=\"shop\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_breakers{state=\"open\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_breakers{state=\"closed\"}", "0");
    EXPECT_SAMPLE(&t, "pawl_breaker_state{service=\"_other\"}", "0");
    trouble_done(&t);
}

/* ------------------------------------------------------------------ names */

TEST(metrics_of_the_engine, of_more_names_than_there_is_room_for_the_rest_is_one)
{
    pw_named named;
    pawl_error err;
    char name[16];
    EXPECT_OK(pw_named_init(&named, sizeof(pw_definition_counts), 3, &err), err);
    pw_named_row *rows[5];
    for (int i = 0; i < 5; i++) {
        (void)snprintf(name, sizeof name, "name-%d", i);
        rows[i] = pw_named_get(&named, pw_str_of(name));
    }
    EXPECT(rows[0] != rows[1] && rows[1] != rows[2] && rows[2] != named.other);
    EXPECT(rows[3] == named.other && rows[4] == named.other);
    EXPECT(pw_named_get(&named, PW_LIT("name-1")) == rows[1]);
    EXPECT(pw_named_get(&named, PW_LIT("_other")) == named.other); /* somebody's own name: still one row */
    EXPECT(pw_named_get(&named, PW_LIT("")) == named.other);
    EXPECT_INT(atomic_load(&named.count), 4);
    EXPECT_STR(rows[2]->name, "name-2");
    pw_named_done(&named);
}

static void get_names(void *context, unsigned number)
{
    char name[16];
    for (unsigned i = 0; i < 150; i++) {
        (void)snprintf(name, sizeof name, "n%u", (i + number * 37) % 150);
        pw_definition_counts *row = (pw_definition_counts *)pw_named_get(context, pw_str_of(name));
        EXPECT_STR(row->row.name, name);
        atomic_fetch_add(&row->started, 1);
    }
}

TEST(metrics_of_the_engine, threads_that_ask_for_the_same_names_at_once_get_the_same_rows)
{
    pw_named named;
    pawl_error err;
    EXPECT_OK(pw_named_init(&named, sizeof(pw_definition_counts), 200, &err), err);
    crew_run(4, get_names, &named);
    EXPECT_INT(atomic_load(&named.count), 151);
    for (unsigned i = 1; i < 151; i++)
        EXPECT_INT(atomic_load(&((pw_definition_counts *)named.rows[i])->started), 4);
    pw_named_done(&named);
}

/* ------------------------------------------------------------------ parts */

TEST(metrics_of_the_engine, a_background_service_tells_its_rounds_its_items_and_what_waits)
{
    trouble t;
    trouble_init(&t, "memory:");
    t.f.options.services_off = PAWL_SERVICE_CLEANUP;
    trouble_open(&t);
    pw_service *s = &t.f.p->services[PW_SERVICE_CLEANUP]; /* off: nobody else moves it */
    s->state.enabled = true;
    s->state.interval_ms = 60000;
    pawl_error failure = { .code = PAWL_IO };
    EXPECT_SAMPLE(&t, "pawl_service_last_round_timestamp_seconds{service=\"cleanup\"}", "none");
    pw_service_begin(s, TIME0 - 5000);
    pw_service_end(s, TIME0 - 4000, 10, 3, NULL);
    pw_service_begin(s, TIME0 - 2000);
    pw_service_end(s, TIME0 - 1500, 0, 0, &failure);
    pw_service_backlog(s, 7, TIME0 - 2500);
    EXPECT_SAMPLE(&t, "pawl_service_enabled{service=\"cleanup\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_service_healthy{service=\"cleanup\"}", "0");
    EXPECT_SAMPLE(&t, "pawl_service_rounds_total{service=\"cleanup\",result=\"good\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_service_rounds_total{service=\"cleanup\",result=\"failed\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_service_items_total{service=\"cleanup\",result=\"good\"}", "7");
    EXPECT_SAMPLE(&t, "pawl_service_items_total{service=\"cleanup\",result=\"failed\"}", "3");
    EXPECT_SAMPLE(&t, "pawl_service_backlog{service=\"cleanup\"}", "7");
    EXPECT_SAMPLE(&t, "pawl_service_oldest_seconds{service=\"cleanup\"}", "2.5");
    EXPECT_SAMPLE(&t, "pawl_service_interval_seconds{service=\"cleanup\"}", "60");
    EXPECT_SAMPLE(&t, "pawl_service_last_round_timestamp_seconds{service=\"cleanup\"}", "1799999998");
    EXPECT_SAMPLE(&t, "pawl_service_last_good_timestamp_seconds{service=\"cleanup\"}", "1799999996");
    pw_service_begin(s, TIME0);
    pw_service_end(s, TIME0, 0, 0, NULL);
    EXPECT_SAMPLE(&t, "pawl_service_healthy{service=\"cleanup\"}", "1");
    fixture_clock(&t.f, TIME0 + 3 * 60000 + 10001); /* three intervals and ten seconds without a round */
    EXPECT_SAMPLE(&t, "pawl_service_healthy{service=\"cleanup\"}", "0");
    s->state.enabled = false;
    EXPECT_SAMPLE(&t, "pawl_service_healthy{service=\"cleanup\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_service_enabled{service=\"cleanup\"}", "0");
    trouble_done(&t);
}

TEST(metrics_of_the_engine, an_operation_of_the_store_is_timed_and_a_slow_one_is_counted)
{
    trouble t;
    trouble_init(&t, NULL);
    t.f.options.slow_query_ms = 2000;
    trouble_open(&t);
    deploy(&t.f, "good", "  - a: {set: {n: 1}}");
    pawl_free(run_one(&t, "good"));
    EXPECT_SAMPLE(&t, "pawl_store_operation_seconds_count{operation=\"commit\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_store_slow_operations_total{operation=\"bulk\"}", "0");
    pw_store_timing timing = pw_store_timing_begin(t.f.p->store, PW_STORE_OP_BULK);
    timing.begun_ns -= UINT64_C(1000000000);
    pw_store_timing_end(&timing);
    EXPECT_SAMPLE(&t, "pawl_store_slow_operations_total{operation=\"bulk\"}", "0");
    timing = pw_store_timing_begin(t.f.p->store, PW_STORE_OP_BULK);
    timing.begun_ns -= UINT64_C(2000000000);
    pw_store_timing_end(&timing);
    EXPECT_SAMPLE(&t, "pawl_store_slow_operations_total{operation=\"bulk\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_store_readers", "8");
    UNTIL_SAMPLE(&t, "pawl_store_readers_used", "0");
    EXPECT_SAMPLE(&t, "pawl_store_degraded", "0");
    EXPECT_SAMPLE(&t, "pawl_store_reopens_total", "0");
    EXPECT(strcmp(sample(&t, "pawl_store_disk_free_bytes"), "none") != 0);
    trouble_done(&t);
}

TEST(metrics_of_the_engine, requests_are_counted_by_route_and_class_of_status)
{
    trouble t;
    trouble_init(&t, "memory:");
    trouble_open(&t);
    pawl_served(t.f.p, "getInstance", 200, 1500);
    pawl_served(t.f.p, "getInstance", 204, 1500);
    pawl_served(t.f.p, "getInstance", 404, 1500);
    pawl_served(t.f.p, "getInstance", 999, 1500);
    pawl_served(t.f.p, NULL, 200, 1);
    pawl_served(NULL, "getInstance", 200, 1);
    EXPECT_SAMPLE(&t, "pawl_http_requests_total{route=\"getInstance\",status=\"2xx\"}", "2");
    EXPECT_SAMPLE(&t, "pawl_http_requests_total{route=\"getInstance\",status=\"4xx\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_http_requests_total{route=\"getInstance\",status=\"other\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_http_requests_total{route=\"getInstance\",status=\"5xx\"}", "none");
    EXPECT_SAMPLE(&t, "pawl_http_request_seconds_sum{route=\"getInstance\"}", "0.006");
    trouble_done(&t);
}

TEST(metrics_of_the_engine, jobs_for_workers_are_shown_by_function_and_state)
{
    trouble t;
    trouble_init(&t, "memory:");
    trouble_open(&t);
    deploy(&t.f, "ask", "  - a: {call: pack, with: {n: 1}}");
    char *id = start(&t.f, "ask", NULL);
    idle(&t, id);
    EXPECT_SAMPLE(&t, "pawl_jobs{function=\"pack\",state=\"ready\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_jobs{function=\"pack\",state=\"leased\"}", "0");
    EXPECT_SAMPLE(&t, "pawl_job_polls{function=\"pack\"}", "0");
    pawl_free(id);
    trouble_done(&t);
}

TEST(metrics_of_the_engine, functions_of_this_process_are_timed_and_what_they_are_not_asked_for_is_not_shown)
{
    trouble t;
    trouble_init(&t, "memory:");
    trouble_open(&t);
    deploy(&t.f, "bad", "  - a: {call: failing, with: {n: 1}}");
    pawl_free(run_one(&t, "bad"));
    EXPECT_SAMPLE(&t, "pawl_activity_seconds_count{function=\"failing\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_activity_seconds_count{function=\"_other\"}", "0");
    EXPECT_SAMPLE(&t, "pawl_job_seconds_count{function=\"failing\"}", "none");
    trouble_done(&t);
}

static char *take_job(trouble *t, char token[128])
{
    const char *const functions[] = { "pack" };
    const pawl_poll_options options = { .struct_size = sizeof options, .functions = functions, .function_count = 1, .wait_ms = WAIT_MS };
    char *text = NULL;
    EXPECT_OK(pawl_jobs_poll(t->f.p, &options, &text, &t->f.err), t->f.err);
    const char *found = ask(text, ".jobs[0].token");
    EXPECT(strlen(found) > 2 && strlen(found) < 128);
    (void)snprintf(token, 128, "%.*s", (int)strlen(found) - 2, found + 1);
    return text;
}

TEST(metrics_of_the_engine, a_job_is_timed_until_a_worker_has_it_and_from_there_until_it_is_answered)
{
    trouble t;
    char token[128];
    trouble_init(&t, "memory:");
    trouble_open(&t);
    deploy(&t.f, "ask", "  - a: {call: pack, with: {n: 1}}");
    char *id = start(&t.f, "ask", NULL);
    pawl_free(take_job(&t, token));
    UNTIL_SAMPLE(&t, "pawl_job_wait_seconds_count{function=\"pack\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_job_seconds_count{function=\"pack\"}", "none");
    EXPECT_OK(pawl_job_complete(t.f.p, token, "1", NULL, NULL, &t.f.err), t.f.err);
    pawl_free(finish(&t.f, id));
    UNTIL_SAMPLE(&t, "pawl_job_seconds_count{function=\"pack\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_job_wait_seconds_count{function=\"pack\"}", "1");
    EXPECT_OK(pawl_job_complete(t.f.p, token, "1", NULL, NULL, &t.f.err), t.f.err); /* the same once more is no answer */
    EXPECT_SAMPLE(&t, "pawl_job_seconds_count{function=\"pack\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_activity_seconds_count{function=\"pack\"}", "none");
    pawl_free(id);
    trouble_done(&t);
}

TEST(metrics_of_the_engine, events_that_wait_and_dead_letters_are_shown_by_sink)
{
    trouble t;
    const pw_sink_wants sinks[] = { { .name = PW_LIT("audit") } };
    trouble_init(&t, "memory:");
    trouble_open(&t);
    EXPECT_OK(pw_store_sinks(t.f.p->store, sinks, 1, &t.f.err), t.f.err);
    deploy(&t.f, "good", "  - a: {set: {n: 1}}");
    pawl_free(run_one(&t, "good")); /* workflow.started and workflow.completed; nobody publishes them here */
    count_anew(&t);
    fixture_clock(&t.f, TIME0 + 2500);
    EXPECT_SAMPLE(&t, "pawl_outbox_pending{sink=\"audit\"}", "2");
    EXPECT_SAMPLE(&t, "pawl_outbox_oldest_seconds{sink=\"audit\"}", "2.5");
    EXPECT_SAMPLE(&t, "pawl_dead_letters{sink=\"audit\"}", "0");
    trouble_done(&t);
}

TEST(metrics_of_the_engine, how_late_timers_are_is_shown)
{
    trouble t;
    trouble_init(&t, "memory:");
    trouble_open(&t);
    deploy(&t.f, "nap", "  - a: {wait: {seconds: 10}}");
    char *id = start(&t.f, "nap", NULL);
    idle(&t, id);
    EXPECT_SAMPLE(&t, "pawl_timer_lateness_seconds_count", "0");
    forward(&t, 13000);
    pawl_free(finish(&t.f, id));
    EXPECT_SAMPLE(&t, "pawl_timer_lateness_seconds_count", "1");
    EXPECT_SAMPLE(&t, "pawl_timer_lateness_seconds_bucket{le=\"2.5\"}", "0");
    EXPECT_SAMPLE(&t, "pawl_timer_lateness_seconds_bucket{le=\"5\"}", "1");
    pawl_free(id);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ what cannot be read */

TEST(metrics_of_the_engine, what_cannot_be_counted_now_has_no_sample_and_the_rest_is_there)
{
    trouble t;
    sqlite3 *db = NULL;
    trouble_init(&t, NULL);
    trouble_open(&t);
    EXPECT_INT(sqlite3_open(t.f.store, &db), SQLITE_OK);
    EXPECT_INT(sqlite3_exec(db, "DROP INDEX instance_status", NULL, NULL, NULL), SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    EXPECT_SAMPLE(&t, "pawl_instances{status=\"waiting\"}", "none");
    EXPECT_SAMPLE(&t, "pawl_incidents_open", "none");
    EXPECT_SAMPLE(&t, "pawl_instances_started_total", "0");
    trouble_done(&t);
}

TEST(metrics_of_the_engine, who_only_reads_the_store_shows_what_is_in_it)
{
    trouble t;
    pawl *reader = NULL;
    trouble_init(&t, NULL);
    trouble_open(&t);
    deploy(&t.f, "long", "  - a: {wait: {hours: 1}}");
    char *id = start(&t.f, "long", NULL);
    idle(&t, id);
    pawl_options options = pawl_options_default();
    options.store = t.f.store;
    options.mode = PAWL_READ;
    EXPECT_OK(pawl_open(&reader, &options, &t.f.err), t.f.err);
    pawl *owner = t.f.p;
    t.f.p = reader;
    EXPECT_SAMPLE(&t, "pawl_instances{status=\"waiting\"}", "1");
    EXPECT_SAMPLE(&t, "pawl_instances_started_total", "none");
    EXPECT_SAMPLE(&t, "process_resident_memory_bytes", "none");
    t.f.p = owner;
    pawl_close(reader);
    pawl_free(id);
    trouble_done(&t);
}

TEST(metrics_of_the_engine, it_needs_a_pawl_and_a_place_for_the_text)
{
    char *text = NULL;
    pawl_error err;
    EXPECT_INT(pawl_metrics(NULL, &text, &err), PAWL_INVALID);
    EXPECT_TEXT(err.message, "metrics: the pawl or out is NULL");
    EXPECT(text == NULL);
}

TEST_MAIN()
