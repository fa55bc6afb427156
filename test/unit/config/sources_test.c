/* sources_test.c - where settings come from, which of them counts, and what holds between them. */
#include <unistd.h>
#include "test.h"
#include <pawl/server.h>
#include "base/base.h"

static pawl_config *defaults(void)
{
    pawl_config *config = NULL;
    pawl_error err;
    EXPECT_OK(pawl_config_new(&config, &err), err);
    return config;
}

/* All problems of one call, a line each. */
typedef struct heard {
    char text[4096];
    int count;
} heard;

static void hear(void *context, const char *key, const char *value, const char *where, const char *message)
{
    heard *h = context;
    size_t len = strlen(h->text);
    (void)snprintf(h->text + len, sizeof h->text - len, "%s|%s|%s|%s\n", where, key, value, message);
    h->count++;
}

static void load(pawl_config *config, const char *text)
{
    pawl_error err;
    EXPECT_OK(pawl_config_text(config, text, strlen(text), "pawl.json", NULL, NULL, &err), err);
}

static const char *where_of(const pawl_config *config, const char *key, char out[128])
{
    char *text = NULL, part[128];
    pawl_error err;
    EXPECT_OK(pawl_config_json(config, &text, &err), err);
    (void)snprintf(part, sizeof part, "\"key\":\"%s\",", key);
    const char *at = strstr(text, part);
    EXPECT(at != NULL);
    at = strstr(at, "\"where\":\"") + 9;
    (void)snprintf(out, 128, "%.*s", (int)strcspn(at, "\""), at);
    pawl_free(text);
    return out;
}

TEST(config, the_first_block_of_the_requirements_loads_verbatim)
{
    pawl_config *config = defaults();
    load(config,
         "{\n"
         "  \"WorkflowResilience\": {\n"
         "    \"Retry\": { \"MaxRetryAttempts\": 3, \"BaseDelay\": \"00:00:01\", \"MaxDelay\": \"00:00:30\" },\n"
         "    \"CircuitBreaker\": { \"FailureThreshold\": 5, \"BreakDuration\": \"00:01:00\", \"MinimumThroughput\": 10 },\n"
         "    \"Timeout\": { \"DatabaseOperation\": \"00:00:30\", \"ExternalHttpCall\": \"00:01:00\", \"ActivityExecution\": \"00:05:00\" }\n"
         "  }\n"
         "}\n");
    char where[128];
    EXPECT_INT(pawl_config_number(config, "WorkflowResilience:Retry:MaxRetryAttempts"), 3);
    EXPECT_INT(pawl_config_duration_ms(config, "WorkflowResilience:Retry:BaseDelay"), 1000);
    EXPECT_INT(pawl_config_duration_ms(config, "WorkflowResilience:Retry:MaxDelay"), 30000);
    EXPECT_INT(pawl_config_number(config, "WorkflowResilience:CircuitBreaker:FailureThreshold"), 5);
    EXPECT_INT(pawl_config_duration_ms(config, "WorkflowResilience:CircuitBreaker:BreakDuration"), 60000);
    EXPECT_INT(pawl_config_number(config, "WorkflowResilience:CircuitBreaker:MinimumThroughput"), 10);
    EXPECT_INT(pawl_config_duration_ms(config, "WorkflowResilience:Timeout:DatabaseOperation"), 30000);
    EXPECT_INT(pawl_config_duration_ms(config, "WorkflowResilience:Timeout:ExternalHttpCall"), 60000);
    EXPECT_INT(pawl_config_duration_ms(config, "WorkflowResilience:Timeout:ActivityExecution"), 300000);
    EXPECT_TEXT(where_of(config, "WorkflowResilience:Timeout:ActivityExecution", where), "pawl.json:5");
    pawl_config_free(config);
}

TEST(config, the_production_block_of_the_requirements_loads_verbatim)
{
    pawl_config *config = defaults();
    pawl_error err;
    load(config,
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
    EXPECT_OK(pawl_config_check(config, NULL, NULL, &err), err);
    char where[128];
    EXPECT_INT(pawl_config_number(config, "Workflow:OutboxProcessing:BatchSize"), 50);
    EXPECT_INT(pawl_config_duration_ms(config, "Workflow:OutboxProcessing:ProcessingInterval"), 10000);
    EXPECT_INT(pawl_config_number(config, "Workflow:OutboxProcessing:MaxRetryAttempts"), 5);
    EXPECT_INT(pawl_config_duration_ms(config, "Workflow:TimerProcessing:CheckInterval"), 30000);
    EXPECT_INT(pawl_config_number(config, "Workflow:TimerProcessing:BatchSize"), 100);
    EXPECT_INT(pawl_config_duration_ms(config, "Workflow:TimerProcessing:TimeoutThreshold"), 86400000);
    EXPECT_INT(pawl_config_duration_ms(config, "Workflow:Cleanup:RunInterval"), 7200000);
    EXPECT_INT(pawl_config_duration_ms(config, "Workflow:Cleanup:CompletedWorkflowRetention"), 7776000000);
    EXPECT_INT(pawl_config_duration_ms(config, "Workflow:Cleanup:ExecutionLogRetention"), 31536000000);
    EXPECT_INT(pawl_config_number(config, "WorkflowResilience:Retry:MaxRetryAttempts"), 5);
    EXPECT_INT(pawl_config_duration_ms(config, "WorkflowResilience:Retry:BaseDelay"), 2000);
    EXPECT_INT(pawl_config_duration_ms(config, "WorkflowResilience:Retry:MaxDelay"), 120000);
    EXPECT_INT(pawl_config_number(config, "WorkflowResilience:CircuitBreaker:FailureThreshold"), 10);
    EXPECT_INT(pawl_config_duration_ms(config, "WorkflowResilience:CircuitBreaker:BreakDuration"), 300000);
    /* what is left out keeps its default */
    EXPECT_INT(pawl_config_number(config, "WorkflowResilience:CircuitBreaker:MinimumThroughput"), 10);
    EXPECT_INT(pawl_config_duration_ms(config, "WorkflowResilience:Timeout:DatabaseOperation"), 30000);
    EXPECT_TEXT(where_of(config, "WorkflowResilience:CircuitBreaker:MinimumThroughput", where), "default");
    EXPECT_TEXT(where_of(config, "Workflow:TimerProcessing:BatchSize", where), "pawl.json:4");
    pawl_config_free(config);
}

TEST(config, a_flag_goes_before_the_environment_that_before_a_file_in_whatever_order_they_come)
{
    static char name[] = "Server__Workers=3";
    char *const environment[] = { name, NULL };
    static const char *const orders[] = { "feF", "fFe", "efF", "eFf", "Ffe", "Fef" };
    const char *key = "Server:Workers";
    for (size_t i = 0; i < PW_LENGTH(orders); i++) {
        pawl_config *config = defaults();
        pawl_error err;
        char where[128];
        for (const char *source = orders[i]; *source; source++) {
            if (*source == 'f')
                load(config, "{\"Server\": {\"Workers\": 2}}");
            else if (*source == 'e')
                EXPECT_OK(pawl_config_environment(config, environment, NULL, NULL, &err), err);
            else
                EXPECT_OK(pawl_config_set(config, key, "4", PAWL_CONFIG_FLAG, &err), err);
        }
        EXPECT_INT(pawl_config_number(config, key), 4);
        EXPECT_TEXT(where_of(config, key, where), "flag");
        pawl_config_free(config);
    }
    pawl_config *config = defaults();
    pawl_error err;
    char where[128];
    EXPECT_OK(pawl_config_environment(config, environment, NULL, NULL, &err), err);
    load(config, "{\"Server\": {\"Workers\": 2}}");
    EXPECT_INT(pawl_config_number(config, key), 3);
    EXPECT_TEXT(where_of(config, key, where), "environment");
    pawl_config_free(config);
}

TEST(config, of_one_source_the_later_goes_before_the_earlier)
{
    pawl_config *config = defaults();
    pawl_error err;
    EXPECT_OK(pawl_config_set(config, "Server:Workers", "4", PAWL_CONFIG_FLAG, &err), err);
    EXPECT_OK(pawl_config_set(config, "Server:Workers", "5", PAWL_CONFIG_FLAG, &err), err);
    EXPECT_INT(pawl_config_number(config, "Server:Workers"), 5);
    load(config, "{\"Jobs\": {\"Functions\": {\"mail\": {\"Rate\": 1}}}}");
    load(config, "{\"Jobs\": {\"Functions\": {\"mail\": {\"Rate\": 2}}}}");
    char *text = NULL;
    EXPECT_OK(pawl_config_json(config, &text, &err), err);
    EXPECT_CONTAINS(text, "{\"key\":\"Jobs:Functions:mail:Rate\",\"value\":2,\"type\":\"rate\",\"default\":0,"
                          "\"source\":\"file\",\"where\":\"pawl.json:1\",\"reload\":true,\"secret\":false,\"used\":true}");
    EXPECT(strstr(text, "\"value\":1,") == NULL);
    pawl_free(text);
    pawl_config_free(config);
}

TEST(config, of_the_environment_only_names_of_our_sections_are_looked_at)
{
    static char a[] = "PATH=/bin", b[] = "Other__Key=1", c[] = "Server=1", d[] = "WorkflowResilience__Retry__MaxRetryAttempts=7",
                e[] = "Jobs__Functions__mail.send__Rate=90/m", f[] = "Serverx__Listen=1", g[] = "NOEQUALS", h[] = "__Server=1";
    char *const environment[] = { a, b, c, d, e, f, g, h, NULL };
    pawl_config *config = defaults();
    pawl_error err;
    EXPECT_OK(pawl_config_environment(config, environment, NULL, NULL, &err), err);
    EXPECT_INT(pawl_config_number(config, "WorkflowResilience:Retry:MaxRetryAttempts"), 7);
    char *text = NULL;
    EXPECT_OK(pawl_config_json(config, &text, &err), err);
    EXPECT_CONTAINS(text, "{\"key\":\"Jobs:Functions:mail.send:Rate\",\"value\":1.5,");
    pawl_free(text);
    pawl_config_free(config);
}

TEST(config, every_problem_of_a_source_is_told_and_nothing_of_it_is_taken)
{
    static char a[] = "Server__Workers=4", b[] = "Server__Wrkers=5", c[] = "Engine__StepThreads=many",
                d[] = "Jobs__Functions__x__Rate=\xff", e[] = "Workflow__Cleanup=1";
    char *const environment[] = { a, b, c, d, e, NULL };
    pawl_config *config = defaults();
    pawl_error err = { 0 };
    heard h = { 0 };
    EXPECT_INT(pawl_config_environment(config, environment, hear, &h, &err), PAWL_INVALID);
    EXPECT_TEXT(h.text,
                "environment|Jobs:Functions:x:Rate||is not UTF-8 text\n"
                "environment|Server:Wrkers||there is no such key; did you mean 'Server:Workers'?\n"
                "environment|Engine:StepThreads|many|must be a whole number from 0 to 64\n"
                "environment|Workflow:Cleanup||is a section, and holds keys instead of a value\n");
    EXPECT_TEXT(err.message, "environment: Jobs:Functions:x:Rate: is not UTF-8 text");
    EXPECT_INT(pawl_config_number(config, "Server:Workers"), 32);
    const char *text = "Server:\n  Workers: 4\n  MaxBody: 1\nEngine:\n  ExpresionFuel: 3\nOther: {}\nServer:Insecure: true\n";
    h = (heard){ 0 };
    EXPECT_INT(pawl_config_text(config, text, strlen(text), "a.yaml", hear, &h, &err), PAWL_INVALID);
    EXPECT_TEXT(h.text,
                "a.yaml:3|Server:MaxBody|1|must be a number of bytes from 1KiB to 1GiB, like 1048576 or 1MiB\n"
                "a.yaml:5|Engine:ExpresionFuel||there is no such key; did you mean 'Engine:ExpressionFuel'?\n"
                "a.yaml:6|Other||there is no such key; `pawl config` lists them\n");
    EXPECT_INT(pawl_config_number(config, "Server:Workers"), 32);
    EXPECT_INT(pawl_config_flag(config, "Server:Insecure"), 0);
    pawl_config_free(config);
}

TEST(config, a_key_twice_in_a_file_is_refused_as_path_and_as_section)
{
    pawl_config *config = defaults();
    pawl_error err = { 0 };
    const char *text = "Server:\n  Workers: 4\nServer:Workers: 5\n";
    EXPECT_INT(pawl_config_text(config, text, strlen(text), "a.yaml", NULL, NULL, &err), PAWL_INVALID);
    EXPECT_TEXT(err.message, "a.yaml:3: Server:Workers: stands there twice");
    pawl_config_free(config);
}

TEST(config, what_holds_between_keys_is_checked)
{
    static const struct {
        const char *key, *value, *problem;
    } cases[] = {
        { "WorkflowResilience:Retry:MaxDelay", "500ms",
          "flag|WorkflowResilience:Retry:MaxDelay|00:00:00.500|must not be shorter than WorkflowResilience:Retry:BaseDelay, "
          "which is 00:00:01 (default)\n" },
        { "WorkflowResilience:ExternalCall:BaseDelay", "2m",
          "default|WorkflowResilience:ExternalCall:MaxDelay|00:01:00|must not be shorter than "
          "WorkflowResilience:ExternalCall:BaseDelay, which is 00:02:00 (flag)\n" },
        { "Server:Tls:Certificate", "a.pem", "flag|Server:Tls:Certificate|a.pem|is nothing without Server:Tls:Key\n" },
        { "Server:Tls:Key", "a.pem", "flag|Server:Tls:Key|a.pem|is nothing without Server:Tls:Certificate\n" },
        { "Engine:ClientKey", "a.pem", "flag|Engine:ClientKey|a.pem|is nothing without Engine:ClientCertificate\n" },
        { "Server:MaxBodies", "1MiB", "flag|Server:MaxBodies|1MiB|must not be less than Server:MaxBody\n" },
        { "Store:DiskLow", "1MiB", "flag|Store:DiskLow|1MiB|must not be less than Store:DiskFull\n" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl_config *config = defaults();
        pawl_error err = { 0 };
        heard h = { 0 };
        EXPECT_OK(pawl_config_check(config, hear, &h, &err), err);
        EXPECT_INT(h.count, 0);
        EXPECT_OK(pawl_config_set(config, cases[i].key, cases[i].value, PAWL_CONFIG_FLAG, &err), err);
        EXPECT_INT(pawl_config_check(config, hear, &h, &err), PAWL_INVALID);
        EXPECT_TEXT(h.text, cases[i].problem);
        pawl_config_free(config);
    }
    pawl_config *config = defaults();
    pawl_error err;
    load(config, "{\"WorkflowResilience:Retry:MaxDelay\": \"1s\", \"Server:Tls\": {\"Key\": \"k\", \"Certificate\": \"c\"}}");
    EXPECT_OK(pawl_config_check(config, NULL, NULL, &err), err); /* equal is good */
    pawl_config_free(config);
}

TEST(config, a_file_is_read_and_what_is_none_is_told)
{
    pawl_config *config = defaults();
    pawl_error err = { 0 };
    char path[512];
    (void)snprintf(path, sizeof path, "%s/pawl.yaml", pw_test_dir());
    EXPECT_INT(pawl_config_file(config, path, NULL, NULL, &err), PAWL_NOT_FOUND);
    EXPECT_CONTAINS(err.message, "cannot open the configuration '");
    EXPECT_INT(pawl_config_file(config, pw_test_dir(), NULL, NULL, &err), PAWL_INVALID);
    EXPECT_CONTAINS(err.message, "is not a file");
    FILE *file = fopen(path, "we");
    EXPECT(file != NULL);
    EXPECT(fputs("# a server\nServer:\n  Listen: [ '127.0.0.1:1', 'localhost:2' ]\n", file) >= 0);
    EXPECT(fclose(file) == 0);
    EXPECT_OK(pawl_config_file(config, path, NULL, NULL, &err), err);
    EXPECT_TEXT(pawl_config_string(config, "Server:Listen"), "127.0.0.1:1,localhost:2");
    pawl_config_free(config);
}

TEST(config, a_file_that_is_too_large_is_refused)
{
    pawl_config *config = defaults();
    pawl_error err = { 0 };
    static char text[(1 << 20) + 2];
    memset(text, '\n', sizeof text);
    EXPECT_INT(pawl_config_text(config, text, (1 << 20) + 1, "a.yaml", NULL, NULL, &err), PAWL_INVALID);
    EXPECT_TEXT(err.message, "a.yaml: it is larger than 1 MiB");
    EXPECT_OK(pawl_config_text(config, text, 1 << 20, "a.yaml", NULL, NULL, &err), err);
    pawl_config_free(config);
}

TEST(config, of_a_long_value_whole_characters_are_shown)
{
    pawl_config *config = defaults();
    pawl_error err = { 0 };
    char value[402] = "x", expected[512];
    for (size_t i = 0; i < 200; i++)
        memcpy(value + 1 + 2 * i, "\xc3\xa9", 3);
    EXPECT_INT(pawl_config_set(config, "Server:Workers", value, PAWL_CONFIG_FLAG, &err), PAWL_INVALID);
    (void)snprintf(expected, sizeof expected, "flag: Server:Workers: '%.99s' must be a whole number from 1 to 1024", value);
    EXPECT_TEXT(err.message, expected);
    pawl_config_free(config);
}

TEST(config, many_functions_are_read_again_and_set_by_hand)
{
    static char text[200000];
    pawl_error err;
    size_t len = (size_t)snprintf(text, sizeof text, "Jobs:\n  Functions:\n");
    for (int i = 0; i < 4000; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "    f%d: {Rate: 1}\n", i);
    pawl_config *config[2] = { defaults(), defaults() };
    for (size_t i = 0; i < 2; i++) {
        EXPECT_OK(pawl_config_text(config[i], text, len, "a.yaml", NULL, NULL, &err), err);
        EXPECT_OK(pawl_config_set(config[i], "Jobs:Functions:f7:Rate", "2", PAWL_CONFIG_FLAG, &err), err);
    }
    char *changes = NULL;
    EXPECT_OK(pawl_config_reload(config[0], config[1], NULL, &changes, &err), err);
    EXPECT_TEXT(changes, "{\"changed\":[],\"restart\":[]}");
    pawl_free(changes);
    pawl_config_free(config[0]);
    pawl_config_free(config[1]);
}

TEST(config, a_file_with_more_settings_than_there_may_be_is_refused)
{
    static char text[200000];
    pawl_config *config = defaults();
    pawl_error err = { 0 };
    size_t len = (size_t)snprintf(text, sizeof text, "Jobs:\n  Functions:\n");
    for (int i = 0; i < 4001; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "    f%d: {Rate: 1}\n", i);
    EXPECT_INT(pawl_config_text(config, text, len, "a.yaml", NULL, NULL, &err), PAWL_INVALID);
    EXPECT_TEXT(err.message, "a.yaml:4003: more than 4000 members in one place");
    pawl_config_free(config);
}

TEST(config, wrong_arguments_are_told)
{
    pawl_config *config = defaults();
    pawl_error err;
    EXPECT_INT(pawl_config_new(NULL, &err), PAWL_INVALID);
    EXPECT_INT(pawl_config_file(NULL, "a", NULL, NULL, &err), PAWL_INVALID);
    EXPECT_INT(pawl_config_file(config, NULL, NULL, NULL, &err), PAWL_INVALID);
    EXPECT_INT(pawl_config_text(config, NULL, 1, "a", NULL, NULL, &err), PAWL_INVALID);
    EXPECT_INT(pawl_config_text(config, "", 0, NULL, NULL, NULL, &err), PAWL_INVALID);
    EXPECT_INT(pawl_config_environment(config, NULL, NULL, NULL, &err), PAWL_INVALID);
    EXPECT_INT(pawl_config_set(config, "Server:Workers", "1", PAWL_CONFIG_DEFAULT, &err), PAWL_INVALID);
    EXPECT_INT(pawl_config_set(config, "Server:Workers", NULL, PAWL_CONFIG_FLAG, &err), PAWL_INVALID);
    EXPECT_INT(pawl_config_set(config, "Server:\xff", "1", PAWL_CONFIG_FLAG, &err), PAWL_INVALID);
    EXPECT_INT(pawl_config_check(NULL, NULL, NULL, &err), PAWL_INVALID);
    EXPECT_INT(pawl_config_json(config, NULL, &err), PAWL_INVALID);
    EXPECT_INT(pawl_config_json(NULL, NULL, &err), PAWL_INVALID);
    EXPECT_INT(pawl_config_manual(NULL, &err), PAWL_INVALID);
    EXPECT_INT(pawl_config_apply(config, NULL, &err), PAWL_INVALID);
    EXPECT_INT(pawl_config_reload(config, config, NULL, NULL, &err), PAWL_INVALID);
    pawl_config_free(config);
    pawl_config_free(NULL);
}

/* Each allocation fails once: nothing leaks, nothing is half taken, and the next try succeeds. */
TEST(config, memory_may_run_out_anywhere)
{
    const char *texts[] = { "{\"Server\":{\"Workers\":2,\"Listen\":[\"a:1\",\"b:2\"]},\"Jobs\":{\"Functions\":{\"f\":{\"Rate\":1}}},"
                            "\"WorkflowResilience\":{\"Faults\":{\"Table\":{\"activity:timeout\":\"incident\"}}}}",
                            "Server:\n  Workers: 2\n  Listen: [a:1, b:2]\nJobs: {Functions: {f: {Rate: 1}}}\n" };
    for (size_t i = 0; i < PW_LENGTH(texts); i++) {
        bool done = false;
        for (uint64_t n = 1; !done; n++) {
            EXPECT(n < 1000);
            pawl_config *config = defaults();
            pawl_error err = { 0 };
            pw_alloc_fail_after(n);
            pawl_code code = pawl_config_text(config, texts[i], strlen(texts[i]), "a", NULL, NULL, &err);
            char *json = NULL;
            pawl_code shown = code == PAWL_OK ? pawl_config_json(config, &json, &err) : PAWL_OK;
            pw_alloc_fail_after(0);
            EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY);
            EXPECT(shown == PAWL_OK || shown == PAWL_NO_MEMORY);
            EXPECT_INT(pawl_config_number(config, "Server:Workers"), code == PAWL_OK ? 2 : 32);
            EXPECT_TEXT(pawl_config_string(config, "Server:Listen"), code == PAWL_OK ? "a:1,b:2" : "127.0.0.1:8080");
            done = code == PAWL_OK && shown == PAWL_OK;
            pawl_free(json);
            pawl_config_free(config);
        }
    }
}
