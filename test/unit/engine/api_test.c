/* api_test.c - arguments, listings, and the small functions of the public interface. */
#include "fixture.h"

static const char approval[] = "  - ask: {call: userTask, with: {key: ok, title: Approve, "
                               "assignedTo: ann, candidates: {groups: [boss]}}}";

TEST(api, bad_options_are_refused_with_a_way_out)
{
    static const struct {
        pawl_options options;
        const char *says;
    } cases[] = {
        { { .struct_size = 0, .store = "memory:" }, "begin with pawl_options_default()" },
        { { .struct_size = sizeof(pawl_options) }, "store is missing" },
        { { .struct_size = sizeof(pawl_options), .store = "" }, "store is missing" },
        { { .struct_size = sizeof(pawl_options), .store = "memory:", .mode = (pawl_mode)7 },
          "PAWL_OWN or PAWL_READ" },
        { { .struct_size = sizeof(pawl_options), .store = "memory:", .step_threads = 65 },
          "at most 64" },
        { { .struct_size = sizeof(pawl_options), .store = "memory:", .activity_threads = 1025 },
          "at most 1024" },
        { { .struct_size = sizeof(pawl_options),
            .store = "memory:",
            .expression_memory = (1u << 30) + 1 },
          "expression_memory must be at most 1073741824" },
        { { .struct_size = sizeof(pawl_options), .store = "memory:", .activity_count = 1 },
          "activities is NULL" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl *p = NULL;
        pawl_error err;
        EXPECT_INT(pawl_open(&p, &cases[i].options, &err), PAWL_INVALID);
        EXPECT(p == NULL);
        EXPECT_CONTAINS(err.message, cases[i].says);
    }
    pawl_error err;
    pawl *p = NULL;
    EXPECT_INT(pawl_open(NULL, &cases[0].options, &err), PAWL_INVALID);
    EXPECT_INT(pawl_open(&p, NULL, &err), PAWL_INVALID);
    pawl_close(NULL);
    pawl_free(NULL);
}

TEST(api, resilience_that_makes_no_sense_is_refused_when_it_opens)
{
    const pawl_resilience good = pawl_resilience_default();
    enum { CASES = 13 };
    static const char *const says[CASES] = {
        "breaker_failures must be at least 1, not 0",
        "calls_at_once must be 1 to 65536, not 0",
        "calls_at_once must be 1 to 65536, not 65537",
        "calls_per_second must be a number from 0 on, not -1",
        "breaker_window_ms must be at least 1, not 0",
        "store_ms must be at most 3153600000000, a hundred years, not 3153600000001",
        "max_delay_ms must be at least base_delay_ms, not 1",
        "call_max_delay_ms must be at least call_base_delay_ms, not 1",
        "on_unknown must be \"resend\", \"ask\" or \"fault\", not 'guess'",
        "faults must be an object like {\"activity:timeout\":\"incident\"}",
        "the value of 'activity:timeout' must be text",
        "options.resilience: faults",
        "options.resilience: faults",
    };
    pawl_resilience bad[CASES];
    for (size_t i = 0; i < CASES; i++)
        bad[i] = good;
    bad[0].breaker_failures = 0;
    bad[1].calls_at_once = 0;
    bad[2].calls_at_once = 65537;
    bad[3].calls_per_second = -1;
    bad[4].breaker_window_ms = 0;
    bad[5].store_ms = 3153600000001;
    bad[6].base_delay_ms = 2;
    bad[6].max_delay_ms = 1;
    bad[7].call_base_delay_ms = 2;
    bad[7].call_max_delay_ms = 1;
    bad[8].on_unknown = "guess";
    bad[9].faults = "[]";
    bad[10].faults = "{\"activity:timeout\":1}";
    bad[11].faults = "{";
    bad[12].faults = "{\"activity:never\":\"incident\"}";
    for (size_t i = 0; i < CASES; i++) {
        pawl *p = NULL;
        pawl_error err;
        pawl_options options = test_options();
        options.store = "memory:";
        options.resilience = &bad[i];
        EXPECT_INT(pawl_open(&p, &options, &err), PAWL_INVALID);
        EXPECT(p == NULL);
        EXPECT_CONTAINS(err.message, says[i]);
    }
}

TEST(api, bad_starts_are_refused_and_make_nothing)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    static char long_key[600];
    memset(long_key, 'k', sizeof long_key - 1);
    const size_t size = sizeof(pawl_start_options);
    const struct {
        pawl_start_options options;
        pawl_code code;
        const char *says;
    } cases[] = {
        { { .struct_size = 0, .name = "ask" }, PAWL_INVALID, "struct_size is 0" },
        { { .struct_size = size }, PAWL_INVALID, "name is missing" },
        { { .struct_size = size, .name = "/ask" }, PAWL_INVALID, "namespace/name" },
        { { .struct_size = size, .name = "test/" }, PAWL_INVALID, "namespace/name" },
        { { .struct_size = size, .name = long_key }, PAWL_INVALID, "at most 127" },
        { { .struct_size = size, .name = "ask", .key = "" }, PAWL_INVALID, "key is missing" },
        { { .struct_size = size, .name = "ask", .key = long_key }, PAWL_INVALID, "at most 512" },
        { { .struct_size = size, .name = "ask", .key = "\xff" }, PAWL_INVALID, "not UTF-8" },
        { { .struct_size = size, .name = "ask", .input = "{" },
          PAWL_INVALID,
          "start: input: JSON line 1" },
        { { .struct_size = size, .name = "none" }, PAWL_NOT_FOUND, "none" },
        { { .struct_size = size, .name = "ask", .version = "2.0.0" }, PAWL_NOT_FOUND, "2.0.0" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        char *id = NULL;
        EXPECT_INT(pawl_start(f.p, &cases[i].options, &id, NULL, &f.err), cases[i].code);
        EXPECT(id == NULL);
        EXPECT_CONTAINS(f.err.message, cases[i].says);
    }
    char *text = NULL;
    EXPECT_OK(pawl_list(f.p, NULL, &text, &f.err), f.err);
    EXPECT_TEXT(text, "{\"instances\":[]}");
    pawl_free(text);
    fixture_done(&f);
}

TEST(api, unknown_instances_and_keys_are_not_found)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    static const char *const ids[] = { "00000000000000000000000000", "x",
                                       "0000000000000000000000000000000000" };
    for (size_t i = 0; i < PW_LENGTH(ids); i++) {
        char *out = NULL;
        EXPECT_INT(pawl_show(f.p, ids[i], &out, &f.err), PAWL_NOT_FOUND);
        EXPECT_INT(pawl_log(f.p, ids[i], 1, 0, &out, &f.err), PAWL_NOT_FOUND);
        EXPECT_INT(pawl_resume(f.p, ids[i], "ok", NULL, NULL, &f.err), PAWL_NOT_FOUND);
        EXPECT_INT(pawl_cancel(f.p, ids[i], NULL, NULL, &f.err), PAWL_NOT_FOUND);
        EXPECT_INT(pawl_suspend(f.p, ids[i], NULL, NULL, &f.err), PAWL_NOT_FOUND);
        EXPECT_INT(pawl_continue(f.p, ids[i], NULL, NULL, &f.err), PAWL_NOT_FOUND);
        EXPECT_INT(pawl_wait(f.p, ids[i], PAWL_WAIT_END, 1000, &out, &f.err), PAWL_NOT_FOUND);
        EXPECT(out == NULL);
    }
    char *id = start(&f, "ask", NULL);
    EXPECT_INT(pawl_resume(f.p, id, "nokey", NULL, NULL, &f.err), PAWL_NOT_FOUND);
    EXPECT_CONTAINS(f.err.message, "waits for nothing with the key 'nokey'");
    EXPECT_INT(pawl_resume(f.p, id, "", NULL, NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_resume(f.p, id, "ok", "nope", NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_resume(f.p, NULL, "ok", NULL, NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_cancel(f.p, "", NULL, NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_wait(f.p, id, (pawl_wait_for)9, 0, NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_wait(NULL, id, PAWL_WAIT_END, 0, NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_show(f.p, id, NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_register(f.p, NULL, &f.err), PAWL_INVALID);
    pawl_free(id);
    fixture_done(&f);
}

TEST(api, show_names_what_a_person_has_to_do)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "ask", approval);
    char *id = start_key(&f, "ask", "order-7", NULL, NULL);
    char *text = show(&f, id);
    EXPECT_ASK(
        text,
        "[.key, .correlation == .id, .token, has(\"output\", \"error\", \"endedAt\", \"wakeAt\")]",
        "[\"order-7\",true,1,false,false,false,true]");
    EXPECT_ASK(
        text, "[.waits[] | [.kind, .task, .key, .title, .assignedTo, .candidates]]",
        "[[\"user-action\",\"/do/0/ask\",\"ok\",\"Approve\",\"ann\",{\"groups\":[\"boss\"]}]]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

TEST(api, who_waits_for_a_person_does_not_wait_until_that_person_is_late)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_clock(&f, 1000);
    fixture_open(&f);
    deploy(&f, "late", "  - ask: {call: userTask, with: {key: ok, due: PT1H}}");
    char *id = start_key(&f, "late", "order-8", NULL, NULL), *text = NULL;
    EXPECT_OK(pawl_wait(f.p, id, PAWL_WAIT_SETTLED, 10000, &text, &f.err), f.err);
    EXPECT_ASK(text, "[.status, .wakeAt, .waits[0].dueAt]",
               "[\"waiting\",\"1970-01-01T01:00:01.000Z\",\"1970-01-01T01:00:01.000Z\"]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

TEST(api, an_input_that_does_not_fit_starts_nothing)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    static const char choosy[] =
        "document: {dsl: 1.0.3, namespace: test, name: choosy, version: 1.0.0}\n"
        "input: {schema: {document: {type: object, required: [id]}}}\n"
        "do: [{a: {set: {n: 1}}}]\n";
    EXPECT_OK(pawl_deploy(f.p, choosy, strlen(choosy), NULL, NULL, NULL, &f.err), f.err);
    pawl_start_options options = { .struct_size = sizeof options,
                                   .name = "test/choosy",
                                   .key = "k",
                                   .input = "{}" };
    char *id = NULL;
    for (int i = 0; i < 2; i++) { /* it is refused again, not found */
        EXPECT_INT(pawl_start(f.p, &options, &id, NULL, &f.err), PAWL_INVALID);
        EXPECT_TEXT(f.err.message, "the input must have the member \"id\"");
    }
    options.input = "{\"id\":1}";
    EXPECT_OK(pawl_start(f.p, &options, &id, NULL, &f.err), f.err);
    EXPECT_OK(pawl_wait(f.p, id, PAWL_WAIT_END, 10000, NULL, &f.err), f.err);
    pawl_free(id);
    fixture_done(&f);
}

TEST(api, lists_come_in_pages_newest_first)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_clock(&f, 1000);
    fixture_open(&f);
    deploy(&f, "ask", approval);
    deploy(&f, "quick", "  - one: {set: {a: 1}}");
    for (unsigned i = 0; i < 5; i++) {
        char input[16];
        fixture_clock(&f, 1000 + i);
        (void)snprintf(input, sizeof input, "%u", i);
        pawl_free(start_key(&f, i == 3 ? "quick" : "ask", input, input, NULL));
    }
    pawl_list_options options = { .struct_size = sizeof options, .limit = 2 };
    char *text = NULL, *after = NULL;
    static const char *const pages[] = { "[\"4\",\"3\"]", "[\"2\",\"1\"]", "[\"0\"]" };
    for (size_t i = 0; i < PW_LENGTH(pages); i++) {
        EXPECT_OK(pawl_list(f.p, &options, &text, &f.err), f.err);
        EXPECT_ASK(text, "[.instances[].key]", pages[i]);
        EXPECT_ASK(text, "has(\"next\")", i < 2 ? "true" : "false");
        if (i < 2) {
            const char *next = ask(text, ".next"); /* quoted */
            free(after);
            after = strndup(next + 1, strlen(next) - 2);
            options.after = after;
        }
        pawl_free(text);
    }
    free(after);
    options = (pawl_list_options){ .struct_size = sizeof options, .status = "completed" };
    EXPECT_OK(pawl_list(f.p, &options, &text, &f.err), f.err);
    EXPECT_ASK(text, "[.instances[] | [.name, .output]]", "[[\"quick\",{\"a\":1}]]");
    pawl_free(text);
    options = (pawl_list_options){ .struct_size = sizeof options,
                                   .name = "test/ask",
                                   .status = "waiting" };
    EXPECT_OK(pawl_list(f.p, &options, &text, &f.err), f.err);
    EXPECT_ASK(text, ".instances | length", "4");
    pawl_free(text);
    options = (pawl_list_options){ .struct_size = sizeof options, .status = "asleep" };
    EXPECT_INT(pawl_list(f.p, &options, &text, &f.err), PAWL_INVALID);
    options = (pawl_list_options){ .struct_size = sizeof options, .limit = 1001 };
    EXPECT_INT(pawl_list(f.p, &options, &text, &f.err), PAWL_INVALID);
    options = (pawl_list_options){ .struct_size = 0 };
    EXPECT_INT(pawl_list(f.p, &options, &text, &f.err), PAWL_INVALID);
    fixture_done(&f);
}

TEST(api, logs_come_in_pages)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "three", "  - a: {call: echo, with: {}}\n  - b: {call: echo, with: {}}");
    char *id = start(&f, "three", NULL), *text = finish(&f, id);
    pawl_free(text);
    static const struct {
        uint64_t from;
        uint32_t limit;
        const char *expected;
    } cases[] = {
        { 0, 0, "[[1,2,3],null]" }, { 1, 2, "[[1,2],3]" }, { 3, 2, "[[3],null]" },
        { 1, 3, "[[1,2,3],null]" }, { 4, 0, "[[],null]" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        EXPECT_OK(pawl_log(f.p, id, cases[i].from, cases[i].limit, &text, &f.err), f.err);
        EXPECT_ASK(text, "[[.steps[].sequence], .next]", cases[i].expected);
        pawl_free(text);
    }
    pawl_free(id);
    fixture_done(&f);
}

TEST(api, a_reader_looks_and_cannot_command)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "ask", approval);
    char *id = start(&f, "ask", NULL), *text = NULL;
    pawl *reader = NULL;
    pawl_options options = test_options();
    options.store = f.store;
    options.mode = PAWL_READ;
    EXPECT_OK(pawl_open(&reader, &options, &f.err), f.err);
    EXPECT_OK(pawl_show(reader, id, &text, &f.err), f.err);
    EXPECT_ASK(text, "[.status, .waits[0].key]", "[\"waiting\",\"ok\"]");
    pawl_free(text);
    EXPECT_OK(pawl_log(reader, id, 1, 0, &text, &f.err), f.err);
    EXPECT_ASK(text, ".steps | length", "1");
    pawl_free(text);
    EXPECT_INT(pawl_cancel(reader, id, NULL, NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_wait(reader, id, PAWL_WAIT_END, 0, NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_drain(reader, 0, &f.err), PAWL_INVALID);
    const pawl_start_options starting = { .struct_size = sizeof starting, .name = "ask" };
    const pawl_resume_options answer = { .struct_size = sizeof answer, .id = id, .key = "ok" };
    pawl_job_answer done = { .struct_size = sizeof done, .token = "x" };
    char *none = NULL;
    EXPECT_INT(pawl_start(reader, &starting, &none, NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_resume_with(reader, &answer, NULL, &none, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_delete(reader, id, NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_jobs_answer(reader, &done, 1, NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_job_complete(reader, "x", "1", NULL, &none, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_job_heartbeat(reader, "x", 0, NULL, &none, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_breakers(reader, 1, NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_breakers(NULL, 1, &none, &f.err), PAWL_INVALID);
    EXPECT(none == NULL);
    pawl_close(reader);
    pawl *second = NULL;
    options.mode = PAWL_OWN;
    EXPECT_INT(pawl_open(&second, &options, &f.err), PAWL_BUSY);
    pawl_free(id);
    fixture_done(&f);
}

TEST(api, who_asks_is_in_at_most_a_thousand_groups_and_a_trace_is_one_or_none)
{
    fixture f;
    const char *groups[1001];
    char *id = NULL;
    for (size_t i = 0; i < PW_LENGTH(groups); i++)
        groups[i] = "boss";
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    pawl_request request = { .struct_size = sizeof request, .groups = groups, .group_count = PW_LENGTH(groups) };
    const pawl_start_options options = { .struct_size = sizeof options, .name = "ask", .request = &request };
    EXPECT_INT(pawl_start(f.p, &options, &id, NULL, &f.err), PAWL_INVALID);
    EXPECT_CONTAINS(f.err.message, "groups are 1001; at most 1000");
    request.groups = NULL;
    request.group_count = 1;
    EXPECT_INT(pawl_start(f.p, &options, &id, NULL, &f.err), PAWL_INVALID);
    EXPECT_CONTAINS(f.err.message, "groups are 1; at most 1000");
    request.group_count = 0;
    request.trace = "00-4bf92f3577b34da6a3ce929d0e0e473X-00f067aa0ba902b7-01"; /* no hexadecimal digit: as if there were none */
    EXPECT_OK(pawl_start(f.p, &options, &id, NULL, &f.err), f.err);
    char *text = show(&f, id);
    EXPECT_ASK(text, "[.status, has(\"trace\")]", "[\"waiting\",false]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ deploy */

TEST(api, deploying_the_same_again_is_a_success_without_effect)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    static const char first[] =
        "document: {dsl: 1.0.0, namespace: n, name: w, version: 1.0.0}\ndo: [{a: {set: {x: 1}}}]\n";
    static const char other[] =
        "document: {dsl: 1.0.0, namespace: n, name: w, version: 1.0.0}\ndo: [{a: {set: {x: 2}}}]\n";
    static const char newer[] = "document: {dsl: 1.0.0, namespace: n, name: w, version: "
                                "1.10.0}\ndo: [{a: {set: {x: 3}}}]\n";
    char *text = NULL;
    EXPECT_OK(pawl_deploy(f.p, first, sizeof first - 1, NULL, NULL, &text, &f.err), f.err);
    EXPECT_ASK(text, "[.namespace, .name, .version, .created, (.digest | length)]",
               "[\"n\",\"w\",\"1.0.0\",true,64]");
    pawl_free(text);
    EXPECT_OK(pawl_deploy(f.p, first, sizeof first - 1, NULL, NULL, &text, &f.err), f.err);
    EXPECT_ASK(text, ".created", "false");
    pawl_free(text);
    EXPECT_INT(pawl_deploy(f.p, other, sizeof other - 1, NULL, NULL, &text, &f.err), PAWL_CONFLICT);
    char *id = start(&f, "w", NULL);
    text = finish(&f, id);
    EXPECT_ASK(text, "[.version, .output.x]", "[\"1.0.0\",1]");
    pawl_free(text);
    pawl_free(id);
    EXPECT_OK(pawl_deploy(f.p, newer, sizeof newer - 1, NULL, NULL, NULL, &f.err), f.err);
    id = start(&f, "n/w", NULL); /* the newest from now on */
    text = finish(&f, id);
    EXPECT_ASK(text, "[.version, .output.x]", "[\"1.10.0\",3]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

static void count_findings(void *context, const pawl_finding *finding)
{
    unsigned *count = context;
    EXPECT(finding->message != NULL && finding->pointer != NULL);
    *count += (unsigned)finding->is_error;
}

TEST(api, a_broken_document_is_reported_with_its_place)
{
    unsigned errors = 0;
    pawl_error err;
    static const char text[] = "document: {dsl: 1.0.0, namespace: n, name: w, version: "
                               "1.0.0}\ndo:\n  - a: {nonsense: 1}\n";
    EXPECT_INT(pawl_validate(text, sizeof text - 1, count_findings, &errors, &err), PAWL_INVALID);
    EXPECT(errors >= 1);
    EXPECT_CONTAINS(err.message, "line 3");
    EXPECT_INT(pawl_validate(NULL, 0, NULL, NULL, &err), PAWL_INVALID);
}

/* ------------------------------------------------------------------ eval */

static void append(void *context, const char *json)
{
    char *into = context;
    size_t length = strlen(into);
    (void)snprintf(into + length, 256 - length, "%s;", json);
}

TEST(api, eval_gives_each_result_and_says_where_an_expression_is_wrong)
{
    static const struct {
        const char *expression, *input, *args, *results;
        pawl_code code;
        const char *says;
    } cases[] = {
        { ".a, .b", "{\"a\":1,\"b\":[2]}", NULL, "1;[2];", PAWL_OK, "" },
        { "$n + .", "2", "{\"n\":40}", "42;", PAWL_OK, "" },
        { ".", NULL, NULL, "null;", PAWL_OK, "" },
        { "1, error(\"x\")", NULL, NULL, "1;", PAWL_EXPRESSION, "x" },
        { ". +", NULL, NULL, "", PAWL_INVALID, "line 1, column " },
        { ".", "{", NULL, "", PAWL_INVALID, "input: JSON line 1" },
        { ".", NULL, "[1]", "", PAWL_INVALID, "args must be a JSON object" },
        { NULL, NULL, NULL, "", PAWL_INVALID, "NULL" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        char results[256] = "";
        pawl_error err = { .message = "" };
        EXPECT_INT(
            pawl_eval(cases[i].expression, cases[i].input, cases[i].args, append, results, &err),
            cases[i].code);
        EXPECT_TEXT(results, cases[i].results);
        EXPECT_CONTAINS(err.message, cases[i].says);
    }
}

/* ------------------------------------------------------------------ reports */

typedef struct reports {
    pthread_mutex_t lock;
    unsigned count;
    char last[4096];
} reports;

static void on_step(void *context, const char *entries)
{
    reports *r = context;
    (void)pthread_mutex_lock(&r->lock);
    r->count++;
    (void)snprintf(r->last, sizeof r->last, "%s", entries);
    (void)pthread_mutex_unlock(&r->lock);
}

TEST(api, every_committed_step_is_reported)
{
    reports r = { .lock = PTHREAD_MUTEX_INITIALIZER };
    fixture f;
    fixture_init(&f, "memory:");
    f.options.on_step = on_step;
    f.options.on_step_context = &r;
    fixture_open(&f);
    deploy(&f, "echo", "  - one: {call: echo, with: {n: 1}}");
    char *id = start(&f, "echo", NULL), *text = finish(&f, id);
    pawl_free(text);
    fixture_close(&f);
    EXPECT_INT(r.count, 2);
    EXPECT_ASK(r.last, "[.sequence, .status, (.entries | length > 0)]", "[2,\"completed\",true]");
    EXPECT_ASK(r.last, ".instance | length", "26");
    pawl_free(id);
    fixture_done(&f);
}

/* ---- versions */

static void deploy_version(fixture *f, const char *version)
{
    char text[300];
    (void)snprintf(text, sizeof text,
                   "document: {dsl: 1.0.3, namespace: test, name: v, version: %s}\n"
                   "do:\n  - a: {set: {version: '%s'}}\n",
                   version, version);
    EXPECT_OK(pawl_deploy(f->p, text, strlen(text), NULL, NULL, NULL, &f->err), f->err);
}

static void keep_warning(void *context, const char *message)
{
    (void)snprintf(context, 200, "%s", message);
}

static pawl_code start_version(fixture *f, const char *version, const char *key, char *warning,
                               const char *expected)
{
    pawl_start_options options = { .struct_size = sizeof options,
                                   .name = "v",
                                   .version = version,
                                   .key = key,
                                   .on_warning = keep_warning,
                                   .warning_context = warning };
    char *id = NULL;
    warning[0] = '\0';
    pawl_code code = pawl_start(f->p, &options, &id, NULL, &f->err);
    if (code == PAWL_OK) {
        char *end = finish(f, id);
        EXPECT_ASK(end, ".output.version", expected);
        pawl_free(end);
    }
    pawl_free(id);
    return code;
}

TEST(api, a_status_decides_what_starts)
{
    fixture f;
    char warning[200];
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy_version(&f, "1.0.0");
    deploy_version(&f, "2.0.0");
    EXPECT_OK(start_version(&f, NULL, NULL, warning, "\"2.0.0\""), f.err);
    EXPECT_OK(start_version(&f, "2.0.0", "key", warning, "\"2.0.0\""), f.err);
    EXPECT_OK(pawl_definition_status(f.p, "v", "2.0.0", "deprecated", &f.err), f.err);
    EXPECT_OK(start_version(&f, NULL, NULL, warning, "\"1.0.0\""), f.err);
    EXPECT_TEXT(warning, "");
    EXPECT_OK(start_version(&f, "2.0.0", NULL, warning, "\"2.0.0\""), f.err);
    EXPECT_TEXT(warning, "version 2.0.0 of 'test/v' is deprecated");
    EXPECT_OK(pawl_definition_status(f.p, "test/v", "2.0.0", "archived", &f.err), f.err);
    EXPECT_INT(start_version(&f, "2.0.0", NULL, warning, ""), PAWL_STATE);
    EXPECT_OK(start_version(&f, "2.0.0", "key", warning, "\"2.0.0\""), f.err); /* the first */
    EXPECT_INT(start_version(&f, "2.0.0", "key-2", warning, ""), PAWL_STATE);
    EXPECT_OK(pawl_definition_status(f.p, "v", "1.0.0", "archived", &f.err), f.err);
    EXPECT_INT(start_version(&f, NULL, NULL, warning, ""), PAWL_STATE);
    EXPECT_TEXT(f.err.message, "no version of 'test/v' is published; 2.0.0 is archived");
    EXPECT_OK(pawl_definition_status(f.p, "v", "1.0.0", "published", &f.err), f.err);
    EXPECT_OK(start_version(&f, NULL, NULL, warning, "\"1.0.0\""), f.err);
    char *text = NULL;
    EXPECT_OK(pawl_definitions(f.p, NULL, &text, &f.err), f.err);
    EXPECT_ASK(text, "[.definitions[] | [.version, .status, .instances]]",
               "[[\"2.0.0\",\"archived\",0],[\"1.0.0\",\"published\",0]]");
    pawl_free(text);
    EXPECT_OK(pawl_definition(f.p, "v", NULL, &text, &f.err), f.err);
    EXPECT_ASK(text, ".version, (.document | test(\"set: {version: '1.0.0'}\"))", "\"1.0.0\"");
    pawl_free(text);
    fixture_done(&f);
}

TEST(api, bad_statuses_and_lists_are_refused)
{
    fixture f;
    char *text = NULL;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy_version(&f, "1.0.0");
    const struct {
        const char *name, *version, *status;
        pawl_code code;
        const char *says;
    } cases[] = {
        { NULL, "1.0.0", "archived", PAWL_INVALID, "name is missing" },
        { "/v", "1.0.0", "archived", PAWL_INVALID, "namespace/name" },
        { "v", NULL, "archived", PAWL_INVALID, "version is missing" },
        { "v", "1.0.0", NULL, PAWL_INVALID, "published, deprecated or archived" },
        { "v", "1.0.0", "draft", PAWL_INVALID, "not 'draft'" },
        { "v", "1.0.0", "gone", PAWL_INVALID, "not 'gone'" },
        { "v", "3.0.0", "archived", PAWL_NOT_FOUND, "no version '3.0.0'" },
        { "w", "1.0.0", "archived", PAWL_NOT_FOUND, "'w'" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        EXPECT_INT(
            pawl_definition_status(f.p, cases[i].name, cases[i].version, cases[i].status, &f.err),
            cases[i].code);
        EXPECT_CONTAINS(f.err.message, cases[i].says);
    }
    pawl_definitions_options options = { .struct_size = 0 };
    EXPECT_INT(pawl_definitions(f.p, &options, &text, &f.err), PAWL_INVALID);
    options = (pawl_definitions_options){ .struct_size = sizeof options, .limit = 1001 };
    EXPECT_INT(pawl_definitions(f.p, &options, &text, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_definition(f.p, "v", "\xff", &text, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_definition(NULL, "v", NULL, &text, &f.err), PAWL_INVALID);
    EXPECT(text == NULL);
    fixture_done(&f);
}

TEST_MAIN()
