/* keys_test.c - every key: its default, the least and the most it takes, and what is refused. */
#include <stdlib.h>
#include "test.h"
#include <pawl/server.h>
#include "base/base.h"
#include "base/json.h"

/* A key that is not in this table fails the first test. Values as the environment would give them; NULL: no such. */
typedef struct row {
    const char *key, *fallback; /* the default, as JSON */
    const char *least, *most;   /* good */
    const char *less, *more;    /* not good */
} row;

// clang-format off
static const row rows[] = {
    { "WorkflowResilience:Retry:MaxRetryAttempts", "3", "0", "1000", "-1", "1001" },
    { "WorkflowResilience:Retry:BaseDelay", "\"00:00:01\"", "00:00:00.001", "1.00:00:00", "00:00:00", "1.00:00:01" },
    { "WorkflowResilience:Retry:MaxDelay", "\"00:00:30\"", "1ms", "30.00:00:00", "00:00:00", "30.00:00:01" },
    { "WorkflowResilience:CircuitBreaker:FailureThreshold", "5", "1", "1000000", "0", "1000001" },
    { "WorkflowResilience:CircuitBreaker:BreakDuration", "\"00:01:00\"", "1ms", "30d", "0s", "31d" },
    { "WorkflowResilience:CircuitBreaker:MinimumThroughput", "10", "0", "1000000", "-1", "1000001" },
    { "WorkflowResilience:Timeout:DatabaseOperation", "\"00:00:30\"", "1ms", "24h", "0ms", "25h" },
    { "WorkflowResilience:Timeout:ExternalHttpCall", "\"00:01:00\"", "1ms", "24h", "PT0S", "PT24H1S" },
    { "WorkflowResilience:Timeout:ActivityExecution", "\"00:05:00\"", "1ms", "30d", "0h", "30d1s" },
    { "WorkflowResilience:ExternalCall:MaxRetryAttempts", "5", "0", "1000", "-1", "1001" },
    { "WorkflowResilience:ExternalCall:BaseDelay", "\"00:00:05\"", "1ms", "1d", "0d", "2d" },
    { "WorkflowResilience:ExternalCall:MaxDelay", "\"00:01:00\"", "1ms", "P30D", "P0D", "P31D" },
    { "WorkflowResilience:CircuitBreaker:SamplingDuration", "\"00:00:30\"", "1s", "1d", "999ms", "25h" },
    { "WorkflowResilience:Bulkhead:MaxConcurrent", "64", "1", "65536", "0", "65537" },
    { "WorkflowResilience:RateLimit:Rate", "0", "0", "1000000", "-1", "1000001" },
    { "WorkflowResilience:Faults:SuspendAfter", "5", "0", "1000", "-1", "1001" },
    { "WorkflowResilience:Faults:SuspendWithin", "\"00:30:00\"", "1ms", "365d", "0s", "366d" },
    { "WorkflowResilience:Faults:Table:activity:timeout", NULL, "retry-at-once", "suspend", "error", "retry-at" },
    { "WorkflowResilience:OnUnknownOutcome", "\"resend\"", "ask", "fault", "rese", "resend|ask" },
    { "Workflow:OutboxProcessing:Enabled", "true", "false", "true", "no", "1" },
    { "Workflow:OutboxProcessing:BatchSize", "10", "1", "1000", "0", "1001" },
    { "Workflow:OutboxProcessing:ProcessingInterval", "\"00:00:05\"", "1ms", "1d", "0s", "1d1ms" },
    { "Workflow:OutboxProcessing:MaxRetryAttempts", "3", "0", "1000", "-1", "1001" },
    { "Workflow:TimerProcessing:CheckInterval", "\"00:00:10\"", "10ms", "1d", "9ms", "2d" },
    { "Workflow:TimerProcessing:Enabled", "true", "false", "true", "no", "1" },
    { "Workflow:TimerProcessing:BatchSize", "20", "1", "10000", "0", "10001" },
    { "Workflow:TimerProcessing:TimeoutThreshold", "\"1.00:00:00\"", "1ms", "36500d", "0s", "36501d" },
    { "Workflow:Cleanup:RunInterval", "\"01:00:00\"", "1ms", "365d", "0s", "366d" },
    { "Workflow:Cleanup:CompletedWorkflowRetention", "\"30.00:00:00\"", "1ms", "36500d", "0s", "36501d" },
    { "Workflow:Cleanup:ExecutionLogRetention", "\"90.00:00:00\"", "1ms", "36500d", "0s", "36501d" },
    { "Workflow:Cleanup:EventRetention", "\"00:00:00\"", "0s", "36500d", "-1s", "36501d" },
    { "Workflow:Cleanup:BatchSize", "100", "1", "1000", "0", "1001" },
    { "Workflow:Cleanup:Pause", "\"00:00:00.020\"", "0s", "1m", "-1ms", "61s" },
    { "Workflow:Cleanup:ExportPath", "\"\"", "", "/var/lib/pawl/export", "a\nb", NULL },
    { "Workflow:Cleanup:Enabled", "true", "false", "true", "no", "1" },
    { "Workflow:Audit:Enabled", "true", "false", "true", "no", "1" },
    { "Workflow:Audit:Interval", "\"00:01:00\"", "1s", "1d", "999ms", "2d" },
    { "Workflow:Audit:Overdue", "\"00:01:00\"", "1s", "1d", "999ms", "2d" },
    { "Outbox:Sinks:web:Type", NULL, "http", "nats", "htp", "http|file" },
    { "Outbox:Sinks:web:Types", NULL, "", "order.*,invoice.*", "order.*,,x", "a, b" },
    { "Outbox:Sinks:web:Sources", NULL, "", "/shop/*", ",", "a," },
    { "Outbox:Sinks:web:Url", NULL, "", "nats://me:secret@a,nats://b", "a\n", NULL },
    { "Outbox:Sinks:web:Path", NULL, "", "/var/lib/pawl/events.ndjson", "\x01", NULL },
    { "Outbox:Sinks:web:RotateBytes", NULL, "1KiB", "1024GiB", "1023", "1025GiB" },
    { "Outbox:Sinks:web:Keep", NULL, "0", "1000000", "-1", "1000001" },
    { "Outbox:Sinks:web:Mode", NULL, "binary", "structured", "Binary", "" },
    { "Outbox:Sinks:web:Secret", NULL, "", "whsec", "\x7f", NULL },
    { "Outbox:Sinks:web:Headers", NULL, "", "X-Tenant=acme,X-Kind=events", "a\rb", NULL },
    { "Outbox:Sinks:web:Subject", NULL, "", "x.{type}.{source}", "\t", NULL },
    { "Outbox:Sinks:web:User", NULL, "", "me", "\n", NULL },
    { "Outbox:Sinks:web:Password", NULL, "", "secret", "\n", NULL },
    { "Outbox:Sinks:web:Token", NULL, "", "tok", "\n", NULL },
    { "Outbox:Sinks:web:Ca", NULL, "", "/etc/ca.pem", "\n", NULL },
    { "Outbox:Sinks:web:Timeout", NULL, "1ms", "1d", "0s", "25h" },
    { "Outbox:Sinks:web:MaxConcurrent", NULL, "1", "1024", "0", "1025" },
    { "Store:Uri", "\"\"", "", "sqlite:a.db", "a\nb", NULL },
    { "Store:SlowQuery", "\"00:00:01\"", "1ms", "1d", "0s", "1d1ms" },
    { "Store:DiskLow", "536870912", "0", "65536GiB", "-1", "65537GiB" },
    { "Store:DiskFull", "67108864", "0", "65536GiB", "-1", "65537GiB" },
    { "Server:Listen", "\"127.0.0.1:8080\"", "localhost:0", "[::1]:65535,0.0.0.0:1", "", "localhost:65536" },
    { "Server:Tls:Certificate", "\"\"", "", "/etc/pawl/server.pem", "a\tb", NULL },
    { "Server:Tls:Key", "\"\"", "", "/etc/pawl/key.pem", "a\x7f", NULL },
    { "Server:Authentication", "false", "false", "true", "no", "1" },
    { "Server:Insecure", "false", "false", "true", "", "True" },
    { "Server:MaxBody", "16777216", "1KiB", "1GiB", "1023", "1025MiB" },
    { "Server:MaxBodies", "268435456", "1024", "64GiB", "0", "65GiB" },
    { "Server:MaxHeader", "8192", "1KiB", "1MiB", "1 KiB", "2MiB" },
    { "Server:MaxConnections", "20000", "1", "1000000", "0", "1000001" },
    { "Server:MaxConnectionsPerAddress", "0", "0", "1000000", "-1", "1000001" },
    { "Server:IdleTimeout", "\"00:00:30\"", "1ms", "1d", "0s", "2d" },
    { "Server:RequestTimeout", "\"00:01:00\"", "1ms", "1d", "0s", "2d" },
    { "Server:MaxWait", "\"00:01:00\"", "1ms", "1d", "0s", "2d" },
    { "Server:Workers", "32", "1", "1024", "0", "1025" },
    { "Server:ShutdownTimeout", "\"00:00:10\"", "1ms", "1d", "0s", "2d" },
    { "Engine:StepThreads", "0", "0", "64", "-1", "65" },
    { "Engine:ActivityThreads", "16", "1", "1024", "0", "1025" },
    { "Engine:HttpInFlight", "256", "1", "100000", "0", "100001" },
    { "Engine:ExpressionFuel", "10000000", "1000", "1000000000000", "999", "1000000000001" },
    { "Engine:ExpressionMemory", "67108864", "64KiB", "1GiB", "63KiB", "2GiB" },
    { "Engine:EgressMap", "\"\"", "", "https://a=127.0.0.1:1", "\x01", NULL },
    { "Engine:EgressCa", "\"\"", "", "/etc/ca.pem", "\x1f", NULL },
    { "Engine:EgressAllow", "\"\"", "", "loopback,10.1.0.0/16", "loopback,,private", "loopback, private" },
    { "Engine:Proxy", "\"\"", "none", "http://me:secret@proxy:3128", "\n", NULL },
    { "Engine:NoProxy", "\"\"", "", "a.example,.b.example", ",", "a,b," },
    { "Engine:TlsInsecure", "false", "false", "true", "yes", "0" },
    { "Engine:ClientCertificate", "\"\"", "", "/etc/pawl/client.pem", "a\n", NULL },
    { "Engine:ClientKey", "\"\"", "", "/etc/pawl/client.key", "\x02", NULL },
    { "Engine:MaxResponse", "16777216", "1KiB", "1GiB", "1023", "1025MiB" },
    { "Engine:MaxRedirects", "10", "1", "100", "0", "101" },
    { "Logging:Level", "\"info\"", "off", "warning,http=debug", "", "info,debug" },
    { "Logging:Format", "\"auto\"", "json", "journal", "xml", "" },
    { "Tracing:Endpoint", "\"\"", "", "http://127.0.0.1:4318", "\n", NULL },
    { "Tracing:Headers", "\"\"", "", "x-key=secret", "\n", NULL },
    { "Tracing:SamplePerMille", "1000", "0", "1000", "-1", "1001" },
    { "Jobs:Lease", "\"00:01:00\"", "1s", "1h", "999ms", "1h1ms" },
    { "Jobs:MaxConcurrent", "0", "0", "1000000", "-1", "1000001" },
    { "Jobs:Rate", "0", "0", "1000000", "-1", "1000001" },
    { "Jobs:Functions:mail:MaxConcurrent", NULL, "0", "1000000", "x", "1000001" },
    { "Jobs:Functions:mail:Rate", NULL, "0", "1000000", "-0.5", "10/d" },
};
// clang-format on

static pawl_config *defaults(void)
{
    pawl_config *config = NULL;
    pawl_error err;
    EXPECT_OK(pawl_config_new(&config, &err), err);
    return config;
}

static const row *row_of(pw_str key)
{
    for (size_t i = 0; i < PW_LENGTH(rows); i++)
        if (pw_str_is(key, rows[i].key))
            return &rows[i];
    return NULL;
}

TEST(config, every_key_has_its_default)
{
    pawl_config *config = defaults();
    char *text = NULL;
    pawl_error err;
    EXPECT_OK(pawl_config_json(config, &text, &err), err);
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value all;
    EXPECT_OK(pw_json_parse(&all, pw_str_of(text), NULL, &arena, &err), err);
    pw_value settings = pw_get_lit(all, "settings");
    size_t fixed = 0; /* a name of the user's has no default */
    for (size_t i = 0; i < PW_LENGTH(rows); i++)
        fixed += rows[i].fallback != NULL;
    EXPECT_INT(settings.count, fixed);
    for (uint32_t i = 0; i < settings.count; i++) {
        pw_value setting = pw_item(settings, i);
        pw_str key = pw_get_text(setting, "key");
        const row *expected = row_of(key);
        if (!expected)
            fail_msg("no row for " PW_FMT, PW_ARG(key));
        EXPECT_STR(pw_json_text(&arena, pw_get_lit(setting, "value"), 0), expected->fallback);
        EXPECT_STR(pw_json_text(&arena, pw_get_lit(setting, "default"), 0), expected->fallback);
        EXPECT_STR(pw_get_text(setting, "source"), "default");
    }
    pw_arena_done(&arena);
    pawl_free(text);
    pawl_config_free(config);
}

TEST(config, every_key_takes_the_least_and_the_most_and_refuses_what_is_beyond)
{
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        pawl_config *config = defaults();
        pawl_error err;
        const char *const good[] = { rows[i].least, rows[i].most };
        const char *const bad[] = { rows[i].less, rows[i].more };
        for (size_t j = 0; j < 2; j++) {
            EXPECT_OK(pawl_config_set(config, rows[i].key, good[j], PAWL_CONFIG_FLAG, &err), err);
            if (!bad[j])
                continue;
            if (pawl_config_set(config, rows[i].key, bad[j], PAWL_CONFIG_FLAG, &err) != PAWL_INVALID)
                fail_msg("%s took '%s'", rows[i].key, bad[j]);
            EXPECT_CONTAINS(err.message, rows[i].key);
            EXPECT_CONTAINS(err.message, "must be ");
            EXPECT_CONTAINS(err.message, "flag: ");
        }
        pawl_config_free(config);
    }
}

/* A list, and none of it is needed. */
static bool may_be_empty(const char *key)
{
    return strcmp(key, "Engine:EgressAllow") == 0 || strcmp(key, "Engine:NoProxy") == 0 ||
           strcmp(key, "Outbox:Sinks:web:Types") == 0 || strcmp(key, "Outbox:Sinks:web:Sources") == 0;
}

TEST(config, in_a_file_every_key_refuses_other_types)
{
    static const char *const others[] = { "{}", "[]", "[1]", "null", "{\"a\":1}", "\"\\u0000\"" };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        for (size_t j = 0; j < PW_LENGTH(others); j++) {
            if (strcmp(others[j], "[]") == 0 && may_be_empty(rows[i].key))
                continue;
            pawl_config *config = defaults();
            pawl_error err;
            char text[256];
            int n = snprintf(text, sizeof text, "{\n\"%s\": %s}", rows[i].key, others[j]);
            if (pawl_config_text(config, text, (size_t)n, "pawl.json", NULL, NULL, &err) != PAWL_INVALID)
                fail_msg("took %s", text);
            EXPECT_CONTAINS(err.message, "pawl.json:2: ");
            EXPECT_CONTAINS(err.message, rows[i].key);
            pawl_config_free(config);
        }
    }
}

TEST(config, a_value_of_another_type_is_told_what_would_be_right)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "{\"Server\":{\"IdleTimeout\":30}}",
          "a.json:1: Server:IdleTimeout: '30' must be a duration from 00:00:00.001 to 1.00:00:00, as text like 00:00:30, "
          "1.00:00:00 ([d.]hh:mm:ss), PT30S, 30s or 1h30m; this is a number" },
        { "{\"Server\":{\"Workers\":\"8\"}}",
          "a.json:1: Server:Workers: '8' must be a whole number from 1 to 1024; this is text" },
        { "{\"Server\":{\"Workers\":8.5}}", "a.json:1: Server:Workers: '8.5' must be a whole number from 1 to 1024" },
        { "{\"Server\":{\"Insecure\":\"true\"}}",
          "a.json:1: Server:Insecure: 'true' must be true or false; this is text" },
        { "{\"Server\":{\"Listen\":8080}}",
          "a.json:1: Server:Listen: '8080' must be one to 16 of HOST:PORT or [IPV6]:PORT; this is a number" },
        { "{\"Server\":{\"MaxBody\":true}}",
          "a.json:1: Server:MaxBody: 'true' must be a number of bytes from 1KiB to 1GiB, like 1048576 or 1MiB; this is "
          "true or false" },
        { "{\"Jobs\":{\"Rate\":[1]}}",
          "a.json:1: Jobs:Rate: '1' must be a number from 0 to 1000000 a second, like 10, 0.5, or as text 90/m; this is a "
          "list" },
        { "{\"Jobs\":{\"Lease\":null}}",
          "a.json:1: Jobs:Lease: 'null' must be a duration from 00:00:01 to 01:00:00, as text like 00:00:30, 1.00:00:00 "
          "([d.]hh:mm:ss), PT30S, 30s or 1h30m; leave the key out for its default" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl_config *config = defaults();
        pawl_error err = { 0 };
        EXPECT_INT(pawl_config_text(config, cases[i].text, strlen(cases[i].text), "a.json", NULL, NULL, &err), PAWL_INVALID);
        EXPECT_TEXT(err.message, cases[i].message);
        pawl_config_free(config);
    }
}

TEST(config, durations_are_read_in_every_form)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {
        { "00:00:30", 30000 },        { "02:00:00", 7200000 },       { "1.00:00:00", 86400000 },
        { "90.00:00:00", 7776000000 }, { "365.00:00:00", 31536000000 }, { "00:00:00.5", 500 },
        { "00:00:00.0010000", 1 },    { "23:59:59.999", 86399999 },  { "PT30S", 30000 },
        { "PT1H30M", 5400000 },       { "P90D", 7776000000 },        { "P1DT12H", 129600000 },
        { "PT0.25S", 250 },           { "P2W", 1209600000 },         { "30s", 30000 },
        { "5m", 300000 },             { "90d", 7776000000 },         { "1h30m", 5400000 },
        { "1d2h3m4s5ms", 93784005 },  { "250ms", 250 },              { "1.5h", 5400000 },
    };
    static const char *const bad[] = {
        "",        "30",       "30 s",     "s",         "1h1h",     "30m1h",   "1H",       "-1s",
        "24:00:00", "00:60:00", "00:00:60", "0:00:30",   "00:30",    "1:00:00:00", "00:00:30.", ".00:00:30",
        "1.2.00:00:00", "P1M",  "P1Y",      "P1M1D",     "P1Y1D",      "PT",        "P",        "PT30",    "forever",  "00:00:00",
        "36501d",  "99999999999999999999d", "1e3s",      "0x10s",    "\xc3\xa9s", " 30s",   "30s ",
    };
    pawl_config *config = defaults();
    pawl_error err;
    const char *key = "Workflow:Cleanup:CompletedWorkflowRetention";
    for (size_t i = 0; i < PW_LENGTH(good); i++) {
        EXPECT_OK(pawl_config_set(config, key, good[i].text, PAWL_CONFIG_FLAG, &err), err);
        EXPECT_INT(pawl_config_duration_ms(config, key), good[i].ms);
    }
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        if (pawl_config_set(config, key, bad[i], PAWL_CONFIG_FLAG, &err) != PAWL_INVALID)
            fail_msg("took '%s'", bad[i]);
        EXPECT_CONTAINS(err.message, "flag: Workflow:Cleanup:CompletedWorkflowRetention");
        EXPECT_CONTAINS(err.message, bad[i]);
    }
    EXPECT_INT(pawl_config_duration_ms(config, key), 5400000); /* as the last good one left it */
    pawl_config_free(config);
}

TEST(config, bytes_and_addresses_are_read_in_every_form)
{
    pawl_config *config = defaults();
    pawl_error err;
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = { { "1024", 1024 }, { "64KiB", 65536 }, { "3MiB", 3145728 }, { "1GiB", 1073741824 } };
    for (size_t i = 0; i < PW_LENGTH(good); i++) {
        EXPECT_OK(pawl_config_set(config, "Server:MaxBody", good[i].text, PAWL_CONFIG_FLAG, &err), err);
        EXPECT_INT(pawl_config_number(config, "Server:MaxBody"), good[i].bytes);
    }
    static const char *const bad[] = { "", "KiB", "1kb", "1MB", "1.5MiB", "-1", "99999999999999999999", "17179869184GiB" };
    for (size_t i = 0; i < PW_LENGTH(bad); i++)
        EXPECT_INT(pawl_config_set(config, "Server:MaxBody", bad[i], PAWL_CONFIG_FLAG, &err), PAWL_INVALID);
    static const char *const addresses[] = { "127.0.0.1:0", "[::1]:8080", "[fe80::1%eth0]:1", "example.org:443", "a:1,b:2" };
    for (size_t i = 0; i < PW_LENGTH(addresses); i++) {
        EXPECT_OK(pawl_config_set(config, "Server:Listen", addresses[i], PAWL_CONFIG_FLAG, &err), err);
        EXPECT_TEXT(pawl_config_string(config, "Server:Listen"), addresses[i]);
    }
    static const char *const no_addresses[] = { "8080",    ":8080",  "a:",     "a:b",   "::1:80",  "[]:80", "a:1,", ",a:1",
                                                "a:1, b:2", "[a:80", "a:-1", "a:+1", "a b:1", "a:1,,b:2",
                                                "a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1" };
    for (size_t i = 0; i < PW_LENGTH(no_addresses); i++) {
        if (pawl_config_set(config, "Server:Listen", no_addresses[i], PAWL_CONFIG_FLAG, &err) != PAWL_INVALID)
            fail_msg("took '%s'", no_addresses[i]);
    }
    pawl_config_free(config);
}

TEST(config, the_password_of_a_store_is_never_shown)
{
    pawl_config *config = defaults();
    pawl_error err;
    EXPECT_OK(pawl_config_set(config, "Store:Uri", "postgresql://pawl:s3cret@db/pawl", PAWL_CONFIG_FLAG, &err), err);
    EXPECT_TEXT(pawl_config_string(config, "Store:Uri"), "postgresql://pawl:s3cret@db/pawl");
    char *text = NULL;
    EXPECT_OK(pawl_config_json(config, &text, &err), err);
    EXPECT_CONTAINS(text, "\"value\":\"postgresql://pawl:***@db/pawl\"");
    EXPECT(strstr(text, "s3cret") == NULL);
    pawl_free(text);
    EXPECT_INT(pawl_config_set(config, "Store:Uri", "postgresql://pawl:s3cret@db/\n", PAWL_CONFIG_FLAG, &err), PAWL_INVALID);
    EXPECT(strstr(err.message, "s3cret") == NULL);
    EXPECT_INT(pawl_config_set(config, "Store:Uri", "postgresql://pawl:s3/cr@t@db/\n", PAWL_CONFIG_FLAG, &err), PAWL_INVALID);
    EXPECT(strstr(err.message, "cr@t") == NULL);
    pawl_config_free(config);
}

TEST(config, an_unknown_key_is_refused_with_the_nearest_known_one)
{
    static const struct {
        const char *key, *part;
    } cases[] = {
        { "WorkflowResilience:Retry:MaxRetryAttempt", "did you mean 'WorkflowResilience:Retry:MaxRetryAttempts'?" },
        { "workflowresilience:retry:maxretryattempts", "did you mean 'WorkflowResilience:Retry:MaxRetryAttempts'?" },
        { "Server:Lissen", "did you mean 'Server:Listen'?" },
        { "Server:TLS:Key", "did you mean 'Server:Tls:Key'?" },
        { "Jobs:Functions:mail:MaxConcurent", "did you mean 'Jobs:Functions:mail:MaxConcurrent'?" },
        { "Jobs:Functions:a:b:rate", "did you mean 'Jobs:Functions:a:b:Rate'?" },
        { "Outbox:Sinks:web:Uri", "did you mean 'Outbox:Sinks:web:Url'?" },
        { "Outbox:Sinks:web", "there is no such key" },
        { "Outbox:Sinks", "is a section" },
        { "Wibble", "there is no such key" },
        { "", "there is no such key" },
        { "Server", "is a section" },
        { "Jobs:Functions", "is a section" },
        { "Server:Listen:Port", "there is no such key" },
        { "Jobs:Functions::Rate", "there is no such key" },
    };
    pawl_config *config = defaults();
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl_error err = { 0 };
        EXPECT_INT(pawl_config_set(config, cases[i].key, "1", PAWL_CONFIG_FLAG, &err), PAWL_INVALID);
        EXPECT_CONTAINS(err.message, cases[i].part);
    }
    pawl_config_free(config);
}

TEST_MAIN()
