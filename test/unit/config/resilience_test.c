/* resilience_test.c - what is done about failures: from the keys to what an open pawl decides by. */
#include <math.h>
#include "test.h"
#include <pawl/server.h>
#include "engine/engine.h"

static pawl_config *of(const char *text)
{
    pawl_config *config = NULL;
    pawl_error err;
    EXPECT_OK(pawl_config_new(&config, &err), err);
    EXPECT_OK(pawl_config_text(config, text, strlen(text), "pawl.yaml", NULL, NULL, &err), err);
    EXPECT_OK(pawl_config_check(config, NULL, NULL, &err), err);
    return config;
}

/* A pawl with these settings. The configuration is gone once it is open. */
static pawl *open_with(const char *text)
{
    pawl_config *config = of(text);
    pawl *p = NULL;
    pawl_error err;
    pawl_options options = pawl_options_default();
    pawl_config_options(config, &options);
    options.store = "memory:";
    options.step_threads = 1;
    EXPECT_OK(pawl_open(&p, &options, &err), err);
    pawl_config_free(config);
    return p;
}

static void expect_retries(const pawl *p, pw_fault_kind kind, uint32_t count, uint64_t base_ms, uint64_t most_ms)
{
    const pw_retry_settings *retry = &p->faults.retry[kind];
    EXPECT_INT(retry->count, count);
    EXPECT_INT(retry->delay_ms, base_ms);
    EXPECT_INT(retry->delay_ms_max, most_ms);
    EXPECT(retry->backoff == PW_BACKOFF_EXPONENTIAL && retry->full_jitter);
}

TEST(resilience, without_settings_a_pawl_has_the_defaults)
{
    pawl *p = NULL;
    pawl_error err;
    pawl_options options = pawl_options_default();
    options.store = "memory:";
    for (int configured = 0; configured < 2; configured++) {
        if (configured)
            p = open_with("");
        else
            EXPECT_OK(pawl_open(&p, &options, &err), err);
        expect_retries(p, PW_FAULT_STARTUP, 3, 1000, 30000);
        expect_retries(p, PW_FAULT_ACTIVITY, 3, 1000, 30000);
        expect_retries(p, PW_FAULT_RESUME, 3, 1000, 30000);
        expect_retries(p, PW_FAULT_EXTERNAL_CALL, 5, 5000, 60000);
        EXPECT_INT(p->faults.suspend_after, 5);
        EXPECT_INT(p->faults.suspend_within_ms, 1800000);
        EXPECT_INT(p->store_ms, 30000);
        EXPECT_INT(p->settings.long_running_ms, 86400000);
        EXPECT(p->settings.faults == &p->faults && p->settings.on_unknown == PW_ON_UNKNOWN_RESEND);
        EXPECT_INT(p->resilience.breaker_failures, 5);
        EXPECT_INT(p->resilience.breaker_throughput, 10);
        EXPECT_INT(p->resilience.breaker_window_ms, 30000);
        EXPECT_INT(p->resilience.breaker_break_ms, 60000);
        EXPECT_INT(p->resilience.calls_at_once, 64);
        EXPECT(p->resilience.calls_per_second <= 0);
        EXPECT(memcmp(p->faults.rules, pw_fault_policy_default.rules, sizeof p->faults.rules) == 0);
        pawl_close(p);
    }
}

TEST(resilience, the_first_block_of_the_requirements_is_in_effect)
{
    pawl *p = open_with(
        "{\n"
        "  \"WorkflowResilience\": {\n"
        "    \"Retry\": { \"MaxRetryAttempts\": 3, \"BaseDelay\": \"00:00:01\", \"MaxDelay\": \"00:00:30\" },\n"
        "    \"CircuitBreaker\": { \"FailureThreshold\": 5, \"BreakDuration\": \"00:01:00\", \"MinimumThroughput\": 10 },\n"
        "    \"Timeout\": { \"DatabaseOperation\": \"00:00:30\", \"ExternalHttpCall\": \"00:01:00\", \"ActivityExecution\": \"00:05:00\" }\n"
        "  }\n"
        "}\n");
    expect_retries(p, PW_FAULT_ACTIVITY, 3, 1000, 30000);
    EXPECT_INT(p->resilience.breaker_failures, 5);
    EXPECT_INT(p->resilience.breaker_break_ms, 60000);
    EXPECT_INT(p->resilience.breaker_throughput, 10);
    EXPECT_INT(p->store_ms, 30000);
    pawl_close(p);
}

TEST(resilience, the_production_block_of_the_requirements_is_in_effect)
{
    pawl *p = open_with(
        "{\n"
        "  \"Workflow\": {\n"
        "    \"OutboxProcessing\": { \"BatchSize\": 50, \"ProcessingInterval\": \"00:00:10\", \"MaxRetryAttempts\": 5 },\n"
        "    \"TimerProcessing\": { \"CheckInterval\": \"00:00:30\", \"BatchSize\": 100, \"TimeoutThreshold\": \"1.00:00:00\" },\n"
        "    \"Cleanup\": { \"RunInterval\": \"02:00:00\", \"CompletedWorkflowRetention\": \"90.00:00:00\", \"ExecutionLogRetention\": \"365.00:00:00\" }\n"
        "  },\n"
        "  \"WorkflowResilience\": {\n"
        "    \"Retry\": { \"MaxRetryAttempts\": 5, \"BaseDelay\": \"00:00:02\", \"MaxDelay\": \"00:02:00\" },\n"
        "    \"CircuitBreaker\": { \"FailureThreshold\": 10, \"BreakDuration\": \"00:05:00\" }\n"
        "  }\n"
        "}\n");
    expect_retries(p, PW_FAULT_STARTUP, 5, 2000, 120000);
    expect_retries(p, PW_FAULT_ACTIVITY, 5, 2000, 120000);
    expect_retries(p, PW_FAULT_RESUME, 5, 2000, 120000);
    EXPECT_INT(p->resilience.breaker_failures, 10);
    EXPECT_INT(p->resilience.breaker_break_ms, 300000);
    EXPECT_INT(p->settings.long_running_ms, 86400000);
    EXPECT_INT(p->check_ms, 30000);
    EXPECT_INT(p->timer_batch, 100);
    /* what is left out keeps its default */
    expect_retries(p, PW_FAULT_EXTERNAL_CALL, 5, 5000, 60000);
    EXPECT_INT(p->resilience.breaker_throughput, 10);
    EXPECT_INT(p->store_ms, 30000);
    pawl_close(p);
}

TEST(resilience, every_other_key_is_in_effect)
{
    pawl *p = open_with("WorkflowResilience:\n"
                        "  ExternalCall: {MaxRetryAttempts: 7, BaseDelay: 8s, MaxDelay: 9m}\n"
                        "  CircuitBreaker: {MinimumThroughput: 0, SamplingDuration: 11s}\n"
                        "  Timeout: {DatabaseOperation: 12s}\n"
                        "  Bulkhead: {MaxConcurrent: 13}\n"
                        "  RateLimit: {Rate: 90/m}\n"
                        "  Faults: {SuspendAfter: 0, SuspendWithin: 14m}\n"
                        "  OnUnknownOutcome: ask\n"
                        "Workflow: {TimerProcessing: {TimeoutThreshold: 15d}}\n");
    expect_retries(p, PW_FAULT_EXTERNAL_CALL, 7, 8000, 540000);
    EXPECT_INT(p->resilience.breaker_throughput, 0);
    EXPECT_INT(p->resilience.breaker_window_ms, 11000);
    EXPECT_INT(p->store_ms, 12000);
    EXPECT_INT(p->resilience.calls_at_once, 13);
    EXPECT(p->resilience.calls_per_second > 1.49 && p->resilience.calls_per_second < 1.51);
    EXPECT_INT(p->faults.suspend_after, 0);
    EXPECT_INT(p->faults.suspend_within_ms, 840000);
    EXPECT(p->settings.on_unknown == PW_ON_UNKNOWN_ASK);
    EXPECT_INT(p->settings.long_running_ms, 1296000000);
    pawl_close(p);
    p = open_with("WorkflowResilience: {OnUnknownOutcome: fault}\n");
    EXPECT(p->settings.on_unknown == PW_ON_UNKNOWN_FAULT);
    pawl_close(p);
}

TEST(resilience, rows_of_the_fault_table_are_set_one_by_one)
{
    pawl *p = open_with("WorkflowResilience:\n"
                        "  Faults:\n"
                        "    Table:\n"
                        "      external-call: {client-error: retry, timeout: suspend}\n"
                        "      'activity:other': incident\n"
                        "      'startup:timeout': error\n"
                        "      activity.attempt-lost: suspend\n");
    const pw_fault_rule(*rules)[PW_ERROR_CLASS_COUNT] = p->faults.rules;
    EXPECT(rules[PW_FAULT_EXTERNAL_CALL][PW_CLASS_CLIENT].retried && !rules[PW_FAULT_EXTERNAL_CALL][PW_CLASS_CLIENT].at_once);
    EXPECT(rules[PW_FAULT_EXTERNAL_CALL][PW_CLASS_CLIENT].then == PW_THEN_INCIDENT); /* as before, when it is not retried */
    EXPECT(!rules[PW_FAULT_EXTERNAL_CALL][PW_CLASS_TIMEOUT].retried);
    EXPECT(rules[PW_FAULT_EXTERNAL_CALL][PW_CLASS_TIMEOUT].then == PW_THEN_SUSPEND);
    EXPECT(!rules[PW_FAULT_ACTIVITY][PW_CLASS_OTHER].retried && rules[PW_FAULT_ACTIVITY][PW_CLASS_OTHER].then == PW_THEN_INCIDENT);
    EXPECT(!rules[PW_FAULT_STARTUP][PW_CLASS_TIMEOUT].retried && rules[PW_FAULT_STARTUP][PW_CLASS_TIMEOUT].then == PW_THEN_ERROR);
    EXPECT(!rules[PW_FAULT_ACTIVITY][PW_CLASS_LOST].retried && rules[PW_FAULT_ACTIVITY][PW_CLASS_LOST].then == PW_THEN_SUSPEND);
    /* all others are as they were */
    unsigned same = 0;
    for (unsigned kind = 0; kind < PW_FAULT_KIND_COUNT; kind++)
        for (unsigned class_ = 0; class_ < PW_ERROR_CLASS_COUNT; class_++) {
            const pw_fault_rule *is = &rules[kind][class_], *was = &pw_fault_policy_default.rules[kind][class_];
            same += is->retried == was->retried && is->at_once == was->at_once && is->then == was->then;
        }
    EXPECT_INT(same, 4 * 17 - 5);
    pawl_close(p);
}

TEST(resilience, all_rows_of_the_fault_table_can_be_set_at_once)
{
    static const char *const kinds[] = { "startup", "activity", "external-call", "resume" };
    pawl_config *config = of("");
    pawl_error err;
    unsigned set = 0;
    for (unsigned kind = 0; kind < PW_FAULT_KIND_COUNT; kind++)
        for (unsigned class_ = 0; class_ < PW_ERROR_CLASS_COUNT; class_++)
            for (unsigned form = 0; form < 2; form++) {
                char key[128];
                (void)snprintf(key, sizeof key, "WorkflowResilience:Faults:Table:%s%c%s", kinds[kind], ":."[form],
                               pw_error_class_name((pw_error_class)class_));
                const char *word = class_ != PW_CLASS_UNKNOWN ? "retry-at-once" : kind % 3 ? "incident" : "error";
                EXPECT_OK(pawl_config_set(config, key, word, PAWL_CONFIG_FLAG, &err), err);
                set++;
            }
    EXPECT_INT(set, 136);
    pawl *p = NULL;
    pawl_options options = pawl_options_default();
    pawl_config_options(config, &options);
    options.store = "memory:";
    EXPECT_OK(pawl_open(&p, &options, &err), err);
    EXPECT(p->faults.rules[PW_FAULT_EXTERNAL_CALL][PW_CLASS_CLIENT].at_once);
    pawl_close(p);
    pawl_config_free(config);
}

TEST(resilience, a_row_that_there_is_not_is_refused_with_what_there_is)
{
    static const struct {
        const char *key, *value, *says;
    } cases[] = {
        { "activity:timeout", "never", "must be retry, retry-at-once, incident, suspend or error" },
        { "activity:timeout", "error", "'activity:timeout' must be retry, retry-at-once, incident or suspend, not 'error'" },
        { "startup:timeout", "incident", "'startup:timeout' must be retry, retry-at-once or error, not 'incident'" },
        { "activity:tiemout", "retry", "there is no class of errors 'tiemout'; there are: argument invalid-state" },
        { "activities:timeout", "retry", "there is no kind of fault 'activities': it is startup, activity, external-call or resume" },
        { "activity", "retry", "is KIND:CLASS, like activity:timeout, not 'activity'" },
        { "activity:unknown-outcome", "retry", "OnUnknownOutcome decides that" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl_config *config = of("");
        pawl_error err = { 0 };
        char key[128];
        (void)snprintf(key, sizeof key, "WorkflowResilience:Faults:Table:%s", cases[i].key);
        EXPECT_INT(pawl_config_set(config, key, cases[i].value, PAWL_CONFIG_FLAG, &err), PAWL_INVALID);
        EXPECT_CONTAINS(err.message, "flag: WorkflowResilience:Faults:Table:");
        EXPECT_CONTAINS(err.message, cases[i].says);
        pawl_config_free(config);
    }
}

TEST(resilience, a_reload_names_rows_that_wait_for_a_restart_and_keeps_the_old_ones)
{
    pawl_config *config = of("WorkflowResilience: {Faults: {Table: {activity: {timeout: incident, attempt-lost: suspend}}}}\n"
                             "Jobs: {Functions: {a: {Rate: 1}}}\n");
    pawl_config *fresh = of("WorkflowResilience: {Retry: {MaxRetryAttempts: 9}, Faults: {Table: {activity: {timeout: retry, other: incident}}}}\n"
                            "Jobs: {Functions: {aa: {Rate: 2}}}\n");
    pawl_error err;
    char *text = NULL;
    EXPECT_OK(pawl_config_reload(config, fresh, NULL, &text, &err), err);
    EXPECT_TEXT(text, "{\"changed\":[{\"key\":\"Jobs:Functions:a:Rate\",\"from\":1,\"to\":null},"
                      "{\"key\":\"Jobs:Functions:aa:Rate\",\"from\":null,\"to\":2}],"
                      "\"restart\":[{\"key\":\"WorkflowResilience:Retry:MaxRetryAttempts\",\"from\":3,\"to\":9},"
                      "{\"key\":\"WorkflowResilience:Faults:Table:activity:attempt-lost\",\"from\":\"suspend\",\"to\":null},"
                      "{\"key\":\"WorkflowResilience:Faults:Table:activity:timeout\",\"from\":\"incident\",\"to\":\"retry\"},"
                      "{\"key\":\"WorkflowResilience:Faults:Table:activity:other\",\"from\":null,\"to\":\"incident\"}]}");
    pawl_free(text);
    pawl_options options = pawl_options_default();
    pawl_config_options(config, &options);
    EXPECT_TEXT(options.resilience->faults, "{\"activity:attempt-lost\":\"suspend\",\"activity:timeout\":\"incident\"}");
    EXPECT_INT(options.resilience->retries, 3);
    EXPECT_OK(pawl_config_json(config, &text, &err), err);
    EXPECT_CONTAINS(text, "\"key\":\"WorkflowResilience:Faults:Table:activity:timeout\",\"value\":\"incident\",\"type\":\"choice\"");
    EXPECT_CONTAINS(text, "\"key\":\"WorkflowResilience:Faults:Table:activity:attempt-lost\",\"value\":\"suspend\",");
    EXPECT(strstr(text, "activity:other") == NULL && strstr(text, "Jobs:Functions:a:Rate") == NULL);
    EXPECT(strstr(text, "Faults:Table:activity:timeout") < strstr(text, "Jobs:Functions:aa:Rate")); /* by section */
    pawl_free(text);
    pawl_config_free(fresh);
    pawl_config_free(config);
}

TEST(resilience, where_calls_may_go_is_in_the_options)
{
    pawl_config *config = of("Engine: {EgressAllow: [loopback, 10.1.0.0/16], Proxy: 'http://p:3128', NoProxy: 'a.example,b.example', "
                             "TlsInsecure: true, ClientCertificate: c.pem, ClientKey: k.pem, MaxResponse: 3MiB, MaxRedirects: 4}\n");
    pawl_options options = pawl_options_default();
    pawl_config_options(config, &options);
    EXPECT_TEXT(options.egress_allow, "loopback,10.1.0.0/16");
    EXPECT_TEXT(options.http_proxy, "http://p:3128");
    EXPECT_TEXT(options.http_no_proxy, "a.example,b.example");
    EXPECT(options.http_insecure_tls == 1);
    EXPECT_TEXT(options.http_client_certificate, "c.pem");
    EXPECT_TEXT(options.http_client_key, "k.pem");
    EXPECT_INT(options.http_response_max, 3145728);
    EXPECT_INT(options.http_redirects, 4);
    pawl_config_free(config);
    config = of("Engine: {Proxy: none, EgressAllow: []}\n");
    pawl_config_options(config, &options);
    EXPECT_TEXT(options.http_proxy, "");
    EXPECT(options.egress_allow == NULL && options.http_no_proxy == NULL && options.http_insecure_tls == 0);
    EXPECT(options.http_client_certificate == NULL && options.http_client_key == NULL);
    EXPECT_INT(options.http_response_max, 16777216);
    EXPECT_INT(options.http_redirects, 10);
    pawl_config_free(config);
    config = of("");
    pawl_config_options(config, &options);
    EXPECT(options.http_proxy == NULL);
    pawl_config_free(config);
}

/* ---- the options themselves, of whoever embeds a pawl */

static pawl_code open_resilience(const pawl_resilience *resilience, pawl_error *err)
{
    pawl *p = NULL;
    pawl_options options = pawl_options_default();
    options.store = "memory:";
    options.step_threads = 1;
    options.resilience = resilience;
    pawl_code code = pawl_open(&p, &options, err);
    pawl_close(p);
    return code;
}

#define EXPECT_REFUSED(member, value, words)                                                       \
    do {                                                                                           \
        pawl_resilience wrong = pawl_resilience_default();                                         \
        pawl_error err = { 0 };                                                                    \
        wrong.member = (value);                                                                    \
        EXPECT_INT(open_resilience(&wrong, &err), PAWL_INVALID);                                   \
        EXPECT_CONTAINS(err.message, "options.resilience: " words);                                \
    } while (0)

TEST(resilience, a_member_that_cannot_be_is_named)
{
    const uint64_t century = UINT64_C(3153600000000);
    EXPECT_REFUSED(struct_size, 0, "struct_size is 0; begin with pawl_resilience_default()");
    EXPECT_REFUSED(breaker_failures, 0, "breaker_failures must be at least 1, not 0");
    EXPECT_REFUSED(calls_at_once, 0, "calls_at_once must be 1 to 65536, not 0");
    EXPECT_REFUSED(calls_at_once, 65537, "calls_at_once must be 1 to 65536, not 65537");
    EXPECT_REFUSED(calls_per_second, -1, "calls_per_second must be a number from 0 on, not -1");
    EXPECT_REFUSED(calls_per_second, (double)NAN, "calls_per_second must be a number");
    EXPECT_REFUSED(calls_per_second, (double)INFINITY, "calls_per_second must be a number");
    EXPECT_REFUSED(base_delay_ms, century + 1, "base_delay_ms must be at most 3153600000000, a hundred years");
    EXPECT_REFUSED(max_delay_ms, 999, "max_delay_ms must be at least base_delay_ms, not 999");
    EXPECT_REFUSED(call_max_delay_ms, 4999, "call_max_delay_ms must be at least call_base_delay_ms, not 4999");
    EXPECT_REFUSED(call_base_delay_ms, 60001, "call_max_delay_ms must be at least call_base_delay_ms, not 60000");
    EXPECT_REFUSED(breaker_window_ms, 0, "breaker_window_ms must be at least 1, not 0");
    EXPECT_REFUSED(breaker_break_ms, 0, "breaker_break_ms must be at least 1, not 0");
    EXPECT_REFUSED(suspend_within_ms, 0, "suspend_within_ms must be at least 1, not 0");
    EXPECT_REFUSED(store_ms, century + 1, "store_ms must be at most");
    EXPECT_REFUSED(long_running_ms, UINT64_MAX, "long_running_ms must be at most");
    EXPECT_REFUSED(on_unknown, "Resend", "on_unknown must be \"resend\", \"ask\" or \"fault\", not 'Resend'");
    EXPECT_REFUSED(faults, "{", "faults: JSON line 1");
    EXPECT_REFUSED(faults, "[]", "faults must be an object like");
    EXPECT_REFUSED(faults, "{\"activity:timeout\":1}", "faults: the value of 'activity:timeout' must be text");
    EXPECT_REFUSED(faults, "{\"activity:timeout\":\"error\"}", "faults: 'activity:timeout' must be retry");
}

TEST(resilience, the_edges_are_taken)
{
    pawl_error err;
    pawl_resilience least = { .struct_size = sizeof least,
                              .breaker_failures = 1,
                              .breaker_window_ms = 1,
                              .breaker_break_ms = 1,
                              .calls_at_once = 1,
                              .suspend_within_ms = 1,
                              .on_unknown = "resend",
                              .faults = "{}" };
    EXPECT_OK(open_resilience(&least, &err), err);
    const uint64_t century = UINT64_C(3153600000000);
    pawl_resilience most = { .struct_size = sizeof most + 64, /* of a newer header; what we do not know is not looked at */
                             .retries = UINT32_MAX,
                             .base_delay_ms = century,
                             .max_delay_ms = century,
                             .call_retries = UINT32_MAX,
                             .call_base_delay_ms = century,
                             .call_max_delay_ms = century,
                             .breaker_failures = UINT32_MAX,
                             .breaker_throughput = UINT32_MAX,
                             .breaker_window_ms = century,
                             .breaker_break_ms = century,
                             .calls_at_once = 65536,
                             .calls_per_second = 1e9,
                             .store_ms = century,
                             .long_running_ms = century,
                             .suspend_after = UINT32_MAX,
                             .suspend_within_ms = century,
                             .on_unknown = "fault" };
    EXPECT_OK(open_resilience(&most, &err), err);
}

/* Whoever was compiled with an older header knows less of it. */
TEST(resilience, members_that_a_caller_does_not_know_have_their_defaults)
{
    pawl_resilience older = pawl_resilience_default();
    older.struct_size = offsetof(pawl_resilience, call_retries);
    older.retries = 7;
    older.call_retries = 0xdead; /* behind its end */
    older.breaker_failures = 0;
    pw_policies policies;
    pawl_error err;
    EXPECT_OK(pw_policies_read(&policies, &older, &err), err);
    EXPECT_INT(policies.faults.retry[PW_FAULT_ACTIVITY].count, 7);
    EXPECT_INT(policies.faults.retry[PW_FAULT_EXTERNAL_CALL].count, 5);
    EXPECT_INT(policies.given.breaker_failures, 5);
    EXPECT_INT(policies.given.suspend_within_ms, 1800000);
    EXPECT_INT(policies.given.struct_size, sizeof(pawl_resilience));
}
