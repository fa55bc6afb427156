/* reload_test.c - what an open pawl takes from the configuration, and what a second reading changes. */
#include <pthread.h>
#include <stdatomic.h>
#include "test.h"
#include <pawl/server.h>
#include "base/base.h"

static pawl_config *of(const char *text)
{
    pawl_config *config = NULL;
    pawl_error err;
    EXPECT_OK(pawl_config_new(&config, &err), err);
    EXPECT_OK(pawl_config_text(config, text, strlen(text), "pawl.yaml", NULL, NULL, &err), err);
    return config;
}

TEST(config, the_options_of_a_pawl_are_filled)
{
    pawl_config *config = of("Engine: {StepThreads: 3, ActivityThreads: 4, HttpInFlight: 5, ExpressionFuel: 6000, "
                             "ExpressionMemory: 7MiB, EgressMap: 'https://a=b:1', EgressCa: ca.pem}\n"
                             "Jobs: {Lease: 8s}\n"
                             "Store: {SlowQuery: 13s, DiskLow: 9MiB, DiskFull: 0}\n"
                             "Workflow: {TimerProcessing: {Enabled: false, CheckInterval: 9s, BatchSize: 10}, Cleanup: {Enabled: false, "
                             "RunInterval: 1m, CompletedWorkflowRetention: 2d, ExecutionLogRetention: 3d, EventRetention: 4d, "
                             "BatchSize: 5, Pause: 6ms, ExportPath: /export}}\n"
                             "WorkflowResilience: {Timeout: {ExternalHttpCall: 11s, ActivityExecution: 12s}}\n");
    pawl_options options = pawl_options_default();
    pawl_config_options(config, &options);
    EXPECT_INT(options.step_threads, 3);
    EXPECT_INT(options.activity_threads, 4);
    EXPECT_INT(options.http_in_flight, 5);
    EXPECT_INT(options.expression_fuel, 6000);
    EXPECT_INT(options.expression_memory, 7340032);
    EXPECT_TEXT(options.egress_map, "https://a=b:1");
    EXPECT_TEXT(options.egress_ca, "ca.pem");
    EXPECT_INT(options.job_lease_ms, 8000);
    EXPECT_INT(options.check_ms, 9000);
    EXPECT_INT(options.timer_batch, 10);
    EXPECT_INT(options.slow_query_ms, 13000);
    EXPECT_INT(options.services_off & PAWL_SERVICE_TIMERS, PAWL_SERVICE_TIMERS);
    EXPECT_INT(options.services_off & PAWL_SERVICE_CLEANUP, PAWL_SERVICE_CLEANUP);
    EXPECT_INT(options.cleanup->run_ms, 60000);
    EXPECT_INT(options.cleanup->instances_ms, 172800000);
    EXPECT_INT(options.cleanup->steps_ms, 259200000);
    EXPECT_INT(options.cleanup->events_ms, 345600000);
    EXPECT_INT(options.cleanup->batch, 5);
    EXPECT_INT(options.cleanup->pause_ms, 6);
    EXPECT_TEXT(options.cleanup->export_path, "/export");
    EXPECT_INT(options.disk_low, 9437184);
    EXPECT_INT(options.audit_ms, 60000);
    EXPECT_INT(options.overdue_ms, 60000);
    EXPECT_INT(options.services_off & PAWL_SERVICE_AUDIT, 0);
    EXPECT(options.disk_full == UINT64_MAX);
    EXPECT_INT(options.http_timeout_ms, 11000);
    EXPECT_INT(options.activity_timeout_ms, 12000);
    EXPECT(options.store == NULL && options.mode == PAWL_OWN && options.create == 1);
    pawl_config_free(config);
    config = of("");
    pawl_config_options(config, &options);
    EXPECT(options.egress_map == NULL && options.egress_ca == NULL);
    EXPECT_INT(options.timer_batch, 20);
    EXPECT_INT(options.outbox_batch, 10);
    EXPECT_INT(options.outbox_ms, 5000);
    EXPECT_INT(options.outbox_retries, 3);
    EXPECT_INT(options.services_off & PAWL_SERVICE_OUTBOX, 0);
    pawl_config_free(config);
    config = of("Workflow: {Audit: {Enabled: false, Interval: 2s, Overdue: 3m}, OutboxProcessing: {Enabled: false, BatchSize: 1000, ProcessingInterval: 7s, MaxRetryAttempts: 0}}");
    options = pawl_options_default();
    pawl_config_options(config, &options);
    EXPECT_INT(options.outbox_batch, 1000);
    EXPECT_INT(options.outbox_ms, 7000);
    EXPECT_INT(options.outbox_retries, UINT32_MAX); /* for ever */
    EXPECT_INT(options.services_off & PAWL_SERVICE_OUTBOX, PAWL_SERVICE_OUTBOX);
    EXPECT_INT(options.services_off & PAWL_SERVICE_AUDIT, PAWL_SERVICE_AUDIT);
    EXPECT_INT(options.audit_ms, 2000);
    EXPECT_INT(options.overdue_ms, 180000);
    pawl_config_free(config);
}

TEST(config, a_pawl_takes_what_the_keys_take)
{
    static const char *const cases[][2] = {
        { "Engine:StepThreads", "0" },          { "Engine:StepThreads", "64" },
        { "Engine:ActivityThreads", "1" },      { "Engine:ActivityThreads", "1024" },
        { "Engine:HttpInFlight", "1" },         { "Engine:HttpInFlight", "100000" },
        { "Engine:ExpressionFuel", "1000" },    { "Engine:ExpressionFuel", "1000000000000" },
        { "Engine:ExpressionMemory", "64KiB" }, { "Engine:ExpressionMemory", "1GiB" },
        { "Jobs:Lease", "1s" },                 { "Jobs:Lease", "1h" },
        { "Jobs:MaxConcurrent", "1000000" },    { "Jobs:Rate", "1000000" },
        { "Jobs:Functions:f:Rate", "0.001" },   { "Jobs:Functions:f:MaxConcurrent", "1" },
        { "Workflow:TimerProcessing:CheckInterval", "10ms" },
        { "Workflow:TimerProcessing:CheckInterval", "1d" },
        { "Workflow:TimerProcessing:BatchSize", "1" },
        { "Workflow:TimerProcessing:BatchSize", "10000" },
        { "WorkflowResilience:Timeout:ExternalHttpCall", "1ms" },
        { "WorkflowResilience:Timeout:ExternalHttpCall", "1d" },
        { "WorkflowResilience:Timeout:ActivityExecution", "1ms" },
        { "WorkflowResilience:Timeout:ActivityExecution", "30d" },
        { "WorkflowResilience:Timeout:DatabaseOperation", "1ms" },
        { "WorkflowResilience:Timeout:DatabaseOperation", "1d" },
        { "WorkflowResilience:Retry:MaxRetryAttempts", "0" },
        { "WorkflowResilience:Retry:MaxRetryAttempts", "1000" },
        { "WorkflowResilience:Retry:BaseDelay", "1ms" },
        { "WorkflowResilience:Retry:BaseDelay", "30s" },
        { "WorkflowResilience:Retry:MaxDelay", "1s" },
        { "WorkflowResilience:Retry:MaxDelay", "30d" },
        { "WorkflowResilience:ExternalCall:MaxRetryAttempts", "0" },
        { "WorkflowResilience:ExternalCall:MaxRetryAttempts", "1000" },
        { "WorkflowResilience:ExternalCall:BaseDelay", "1ms" },
        { "WorkflowResilience:ExternalCall:MaxDelay", "30d" },
        { "WorkflowResilience:CircuitBreaker:FailureThreshold", "1" },
        { "WorkflowResilience:CircuitBreaker:FailureThreshold", "1000000" },
        { "WorkflowResilience:CircuitBreaker:MinimumThroughput", "0" },
        { "WorkflowResilience:CircuitBreaker:MinimumThroughput", "1000000" },
        { "WorkflowResilience:CircuitBreaker:BreakDuration", "1ms" },
        { "WorkflowResilience:CircuitBreaker:BreakDuration", "30d" },
        { "WorkflowResilience:CircuitBreaker:SamplingDuration", "1s" },
        { "WorkflowResilience:CircuitBreaker:SamplingDuration", "1d" },
        { "WorkflowResilience:Bulkhead:MaxConcurrent", "1" },
        { "WorkflowResilience:Bulkhead:MaxConcurrent", "65536" },
        { "WorkflowResilience:RateLimit:Rate", "0.001" },
        { "WorkflowResilience:RateLimit:Rate", "1000000" },
        { "WorkflowResilience:Faults:SuspendAfter", "0" },
        { "WorkflowResilience:Faults:SuspendAfter", "1000" },
        { "WorkflowResilience:Faults:SuspendWithin", "1ms" },
        { "WorkflowResilience:Faults:SuspendWithin", "365d" },
        { "WorkflowResilience:OnUnknownOutcome", "ask" },
        { "Workflow:TimerProcessing:TimeoutThreshold", "1ms" },
        { "Workflow:TimerProcessing:TimeoutThreshold", "36500d" },
        { "Engine:EgressAllow", "all" },
        { "Engine:EgressAllow", "loopback,private,link-local,192.0.2.1,10.0.0.0/8,fd00::/8" },
        { "Engine:Proxy", "none" },
        { "Engine:Proxy", "http://me:secret@127.0.0.1:3128" },
        { "Engine:NoProxy", "a.example" },
        { "Engine:TlsInsecure", "true" },
        { "Engine:MaxResponse", "1KiB" },
        { "Engine:MaxResponse", "1GiB" },
        { "Engine:MaxRedirects", "1" },
        { "Engine:MaxRedirects", "100" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl_config *config = of("");
        pawl *p = NULL;
        pawl_error err;
        EXPECT_OK(pawl_config_set(config, cases[i][0], cases[i][1], PAWL_CONFIG_FLAG, &err), err);
        pawl_options options = pawl_options_default();
        pawl_config_options(config, &options);
        options.store = "memory:";
        EXPECT_OK(pawl_open(&p, &options, &err), err);
        EXPECT_OK(pawl_config_apply(config, p, &err), err);
        pawl_close(p);
        pawl_config_free(config);
    }
}

TEST(config, a_reload_takes_what_can_change_and_names_what_cannot)
{
    pawl_config *config = of("Server: {MaxWait: 10s, Workers: 2}\nJobs: {Functions: {a: {Rate: 1}, b: {Rate: 2}, c: {Rate: 3}}}\n");
    pawl_config *fresh = of("\nServer: {MaxWait: 20s, Workers: 3, Listen: 'localhost:1'}\n"
                            "Jobs: {Rate: 5/m, Functions: {b: {Rate: 2, MaxConcurrent: 4}, c: {Rate: 4}}}\n"
                            "Store: {Uri: 'x://u:secret@h'}\n");
    pawl_error err;
    char *text = NULL;
    EXPECT_OK(pawl_config_set(config, "Engine:EgressCa", "ca.pem", PAWL_CONFIG_FLAG, &err), err);
    EXPECT_OK(pawl_config_set(fresh, "Engine:EgressCa", "ca.pem", PAWL_CONFIG_FLAG, &err), err);
    const char *given_out = pawl_config_string(config, "Engine:EgressCa");
    EXPECT_OK(pawl_config_reload(config, fresh, NULL, &text, &err), err);
    EXPECT(pawl_config_string(config, "Engine:EgressCa") == given_out); /* whoever has it keeps it */
    EXPECT_TEXT(text, "{\"changed\":["
                      "{\"key\":\"Server:MaxWait\",\"from\":\"00:00:10\",\"to\":\"00:00:20\"},"
                      "{\"key\":\"Jobs:Rate\",\"from\":0,\"to\":0.08333333333333333},"
                      "{\"key\":\"Jobs:Functions:a:Rate\",\"from\":1,\"to\":null},"
                      "{\"key\":\"Jobs:Functions:c:Rate\",\"from\":3,\"to\":4},"
                      "{\"key\":\"Jobs:Functions:b:MaxConcurrent\",\"from\":null,\"to\":4}],"
                      "\"restart\":["
                      "{\"key\":\"Store:Uri\",\"from\":\"\",\"to\":\"x://u:***@h\"},"
                      "{\"key\":\"Server:Listen\",\"from\":\"127.0.0.1:8080\",\"to\":\"localhost:1\"},"
                      "{\"key\":\"Server:Workers\",\"from\":2,\"to\":3}]}");
    pawl_free(text);
    EXPECT_INT(pawl_config_duration_ms(config, "Server:MaxWait"), 20000);
    EXPECT_INT(pawl_config_number(config, "Server:Workers"), 2);
    EXPECT_TEXT(pawl_config_string(config, "Server:Listen"), "127.0.0.1:8080");
    EXPECT_OK(pawl_config_json(config, &text, &err), err);
    EXPECT(strstr(text, "Jobs:Functions:a:Rate") == NULL);
    EXPECT_CONTAINS(text, "\"key\":\"Jobs:Functions:b:MaxConcurrent\",\"value\":4,");
    EXPECT_CONTAINS(text, "\"key\":\"Server:MaxWait\",\"value\":\"00:00:20\",\"type\":\"duration\",\"default\":\"00:01:00\","
                          "\"source\":\"file\",\"where\":\"pawl.yaml:2\"");
    pawl_free(text);
    /* The same again changes nothing, but for what waits for a restart. */
    EXPECT_OK(pawl_config_reload(config, fresh, NULL, &text, &err), err);
    EXPECT_CONTAINS(text, "{\"changed\":[],\"restart\":[{\"key\":\"Store:Uri\"");
    pawl_free(text);
    pawl_config_free(fresh);
    /* What is no longer said has its default again. */
    fresh = of("");
    EXPECT_OK(pawl_config_reload(config, fresh, NULL, NULL, &err), err);
    EXPECT_INT(pawl_config_duration_ms(config, "Server:MaxWait"), 60000);
    pawl_config_free(fresh);
    pawl_config_free(config);
}

typedef struct looking {
    pawl_config *config;
    atomic_bool over;
} looking;

/* Nothing but the two values is ever seen. */
static void *look(void *context)
{
    looking *l = context;
    while (!atomic_load(&l->over)) {
        uint64_t ms = pawl_config_duration_ms(l->config, "Server:MaxWait");
        char *text = NULL;
        if ((ms != 10000 && ms != 20000) || pawl_config_json(l->config, &text, NULL) != PAWL_OK)
            return l; /* another value */
        pawl_free(text);
    }
    return NULL;
}

static void forget_line(void *context, const char *line)
{
    (void)context;
    (void)line;
}

TEST(config, traces_and_the_levels_of_the_log_are_settings)
{
    static const char *const wrong[] = { "loud", "", "info,", "info,debug", "=info", "http=", "http=loud" };
    pawl_error err;
    pawl_config *config = of("Tracing: {Endpoint: 'http://h:4318', Headers: 'a=b', SamplePerMille: 250}\nLogging: {Level: 'warning,http=debug', Format: human}\n");
    pawl_options options = pawl_options_default();
    pawl_config_options(config, &options);
    EXPECT_TEXT(options.trace_endpoint, "http://h:4318");
    EXPECT_TEXT(options.trace_headers, "a=b");
    EXPECT(options.trace_ratio > 0.2499 && options.trace_ratio < 0.2501);
    EXPECT_TEXT(pawl_config_string(config, "Logging:Level"), "warning,http=debug");
    EXPECT_TEXT(pawl_config_string(config, "Logging:Format"), "human");
    for (size_t i = 0; i < PW_LENGTH(wrong); i++)
        EXPECT_INT(pawl_config_set(config, "Logging:Level", wrong[i], PAWL_CONFIG_FLAG, &err), PAWL_INVALID);
    EXPECT_OK(pawl_config_set(config, "Tracing:SamplePerMille", "0", PAWL_CONFIG_FLAG, &err), err);
    pawl_config_options(config, &options);
    EXPECT(options.trace_ratio < 0); /* none, which 0 is not there */
    pawl_config_free(config);
    config = of("");
    options = pawl_options_default();
    pawl_config_options(config, &options);
    EXPECT(options.trace_endpoint == NULL && options.trace_headers == NULL);
    pawl_config_free(config);
}

TEST(config, a_log_that_is_on_follows_a_reload)
{
    pawl_error err;
    pawl *p = NULL;
    char *text = NULL;
    pawl_options options = pawl_options_default();
    options.store = "memory:";
    EXPECT_OK(pawl_open(&p, &options, &err), err);
    pawl_config *config = of(""), *fresh = of("Logging: {Level: 'error,http=debug'}");
    EXPECT_OK(pawl_config_reload(config, fresh, p, &text, &err), err); /* it is not on */
    EXPECT_TEXT(text, "{\"changed\":[{\"key\":\"Logging:Level\",\"from\":\"info\",\"to\":\"error,http=debug\"}],\"restart\":[]}");
    pawl_free(text);
    EXPECT_TEXT(pawl_logging_levels(), "off");
    const pawl_logging logging = { .struct_size = sizeof logging, .on_line = forget_line };
    EXPECT_OK(pawl_logging_start(&logging, &err), err);
    pawl_config *third = of("Logging: {Level: debug}");
    EXPECT_OK(pawl_config_reload(config, third, p, &text, &err), err);
    pawl_free(text);
    EXPECT_TEXT(pawl_logging_levels(), "debug");
    EXPECT_OK(pawl_logging_level("off", &err), err); /* by hand, until the next change */
    EXPECT_OK(pawl_config_reload(config, fresh, p, &text, &err), err);
    pawl_free(text);
    EXPECT_TEXT(pawl_logging_levels(), "error,http=debug");
    pawl_logging_stop();
    pawl_config_free(config);
    pawl_config_free(fresh);
    pawl_config_free(third);
    pawl_close(p);
}

TEST(config, other_threads_may_look_while_it_is_read_again)
{
    pawl_config *config = of("Server: {MaxWait: 10s}\nJobs: {Functions: {a: {Rate: 1}}}\n");
    pawl_config *fresh[] = { of("Server: {MaxWait: 20s}\n"), of("Server: {MaxWait: 10s}\nJobs: {Functions: {b: {Rate: 1}}}\n") };
    looking all[2] = { { .config = config }, { .config = config } };
    pthread_t threads[2];
    pawl_error err;
    for (size_t i = 0; i < 2; i++)
        EXPECT_INT(pthread_create(&threads[i], NULL, look, &all[i]), 0);
    for (size_t i = 0; i < 2000; i++)
        EXPECT_OK(pawl_config_reload(config, fresh[i % 2], NULL, NULL, &err), err);
    for (size_t i = 0; i < 2; i++) {
        void *wrong = NULL;
        atomic_store(&all[i].over, true);
        EXPECT_INT(pthread_join(threads[i], &wrong), 0);
        EXPECT(wrong == NULL);
    }
    pawl_config_free(fresh[0]);
    pawl_config_free(fresh[1]);
    pawl_config_free(config);
}

TEST(config, a_reload_without_memory_changes_nothing)
{
    pawl_config *fresh = of("Server: {MaxWait: 20s}\nJobs: {Functions: {b: {Rate: 2}}}\n");
    bool done = false;
    for (uint64_t n = 1; !done; n++) {
        pawl_config *config = of("Server: {MaxWait: 10s}\nJobs: {Functions: {a: {Rate: 1}}}\n");
        pawl_error err;
        char *text = NULL;
        EXPECT(n < 200);
        pw_alloc_fail_after(n);
        pawl_code code = pawl_config_reload(config, fresh, NULL, &text, &err);
        pw_alloc_fail_after(0);
        EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY);
        EXPECT_INT(pawl_config_duration_ms(config, "Server:MaxWait"), code == PAWL_OK ? 20000 : 10000);
        done = code == PAWL_OK;
        pawl_free(text);
        pawl_config_free(config);
    }
    pawl_config_free(fresh);
}
