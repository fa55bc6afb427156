/* start_handler_test.c - what becomes of a start: one commit or nothing, one instance however often it is asked for. */
#include <limits.h>
#include "fixture.h"
#include "store/memory/memory.h"

static const char approval[] = "  - ask: {call: userTask, with: {key: ok}}";

static pawl_start_options named(const char *name)
{
    return (pawl_start_options){ .struct_size = sizeof(pawl_start_options), .name = name };
}

static pawl_request keyed(const char *actor, const char *key)
{
    return (pawl_request){ .struct_size = sizeof(pawl_request), .actor = actor, .idempotency_key = key };
}

static char *start_with(fixture *f, const pawl_start_options *options, int *existed)
{
    char *id = NULL;
    EXPECT_OK(pawl_start(f->p, options, &id, existed, &f->err), f->err);
    return id;
}

static void expect_instances(fixture *f, const char *count)
{
    char *text = NULL;
    EXPECT_OK(pawl_list(f->p, NULL, &text, &f->err), f->err);
    EXPECT_ASK(text, ".instances | length", count);
    pawl_free(text);
}

static void expect_refused(fixture *f, const pawl_start_options *options, pawl_code code, pawl_reason reason,
                           const char *says)
{
    char *id = NULL;
    EXPECT_INT(pawl_start(f->p, options, &id, NULL, &f->err), code);
    EXPECT(id == NULL);
    EXPECT_CONTAINS(f->err.message, says);
    EXPECT_TEXT(pawl_reason_name(f->err.reason), pawl_reason_name(reason));
}

/* ------------------------------------------------------------------ what is made */

TEST(start_handler, instance_log_and_event_are_one_commit)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    pw_store_counts before, after;
    pw_store_count(f.p->store, &before);
    char *id = start(&f, "ask", "{\"n\":1}");
    pw_store_count(f.p->store, &after);
    EXPECT_INT(after.items - before.items, 1);
    char *text = show(&f, id), *log = steps(&f, id);
    EXPECT_ASK(text, "[.status, .token, .input.n, (.waits | length)]", "[\"waiting\",1,1,1]");
    EXPECT_ASK(log, "[.steps[] | .event, .entries[0].type]", "[\"start\",\"instance.started\"]");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_outbox_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_outbox(f.p->store, pw_str_of(id), (pw_str){ "", 0 }, 10, &rows, &count, &arena, &f.err), f.err);
    EXPECT(count >= 1);
    EXPECT_STR(rows[0].event.type, "io.serverlessworkflow.workflow.started.v1");
    pw_arena_done(&arena);
    pawl_free(log);
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

TEST(start_handler, a_first_task_that_fails_leaves_a_faulted_instance_and_its_fault)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "bad", "  - no: {raise: {error: {type: 'urn:x:no', status: 409, title: No}}}");
    char *id = start(&f, "bad", NULL);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .error.type, .error.status, .token]", "[\"faulted\",\"urn:x:no\",409,1]");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_fault_row *faults = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_faults(f.p->store, pw_str_of(id), &faults, &count, &arena, &f.err), f.err);
    EXPECT_INT(count, 1);
    EXPECT(faults[0].open);
    EXPECT_STR(faults[0].fault.kind, "activity-fault");
    pw_arena_done(&arena);
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

TEST(start_handler, labels_correlation_and_trace_are_kept_with_the_instance)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    pawl_request request = keyed("ann", NULL);
    request.correlation = "order-7";
    request.trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    pawl_start_options options = named("test/ask");
    options.labels = "{\"customer\":\"c1\",\"kind\":\"\"}";
    options.actor = "somebody";
    options.correlation = "another";
    options.request = &request;
    char *id = start_with(&f, &options, NULL);
    char *head = NULL, *log = steps(&f, id);
    EXPECT_OK(pawl_head(f.p, id, &head, &f.err), f.err);
    EXPECT_ASK(head, "[.correlation, .labels, .name, .status]",
               "[\"order-7\",{\"customer\":\"c1\",\"kind\":\"\"},\"ask\",\"waiting\"]");
    EXPECT_ASK(log, "[.steps[0] | .actor, .correlation]", "[\"ann\",\"order-7\"]");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_instance_row row;
    EXPECT_OK(pw_store_instance_get(f.p->store, pw_str_of(id), false, &row, &arena, &f.err), f.err);
    EXPECT_STR(row.trace, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    request.trace = "00-00000000000000000000000000000000-b7ad6b7169203331-01"; /* is none */
    char *other = start_with(&f, &options, NULL);
    EXPECT_OK(pw_store_instance_get(f.p->store, pw_str_of(other), false, &row, &arena, &f.err), f.err);
    EXPECT_INT(row.trace.len, 0);
    pw_arena_done(&arena);
    pawl_free(other);
    pawl_free(log);
    pawl_free(head);
    pawl_free(id);
    fixture_done(&f);
}

TEST(start_handler, one_that_is_to_begin_later_is_pending_until_then)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_clock(&f, 1000000);
    fixture_open(&f);
    deploy(&f, "ask", approval);
    pawl_start_options options = named("ask");
    options.start_at_ms = 1060000;
    options.input = "{\"n\":3}";
    char *id = start_with(&f, &options, NULL), *gone = start_with(&f, &options, NULL), *head = NULL;
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    EXPECT_OK(pawl_head(f.p, id, &head, &f.err), f.err);
    EXPECT_ASK(head, "[.status, .wakeAt, .token]", "[\"pending\",\"1970-01-01T00:17:40.000Z\",1]");
    pawl_free(head);
    EXPECT_OK(pawl_cancel(f.p, gone, "ann", NULL, &f.err), f.err);
    fixture_clock(&f, 1059999);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    EXPECT_OK(pawl_head(f.p, id, &head, &f.err), f.err);
    EXPECT_ASK(head, ".status", "\"pending\"");
    pawl_free(head);
    fixture_clock(&f, 1060000);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    char *text = show(&f, id), *cancelled = show(&f, gone);
    EXPECT_ASK(text, "[.status, .input.n, .waits[0].kind]", "[\"waiting\",3,\"user-action\"]");
    EXPECT_ASK(cancelled, ".status", "\"cancelled\"");
    pawl_free(cancelled);
    pawl_free(text);
    pawl_free(gone);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ what is refused */

TEST(start_handler, every_mistake_has_its_code_and_reason_and_leaves_nothing)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    static char long_text[5000], many[5000];
    memset(long_text, 'k', sizeof long_text - 1);
    size_t at = 0;
    for (int i = 0; i < 65; i++)
        at += (size_t)snprintf(many + at, sizeof many - at, "%s\"l%d\":\"\"", i ? "," : "{", i);
    (void)snprintf(many + at, sizeof many - at, "}");
    const size_t size = sizeof(pawl_start_options);
    const pawl_request sizeless = { .actor = "ann" }, long_key = keyed("ann", long_text), no_key = keyed("ann", ""),
                       long_actor = keyed(long_text, NULL);
    const struct {
        pawl_start_options options;
        pawl_code code;
        pawl_reason reason;
        const char *says;
    } cases[] = {
        { { .struct_size = 0, .name = "ask" }, PAWL_INVALID, PAWL_REASON_NONE, "struct_size is 0" },
        { { .struct_size = size }, PAWL_INVALID, PAWL_REASON_NONE, "start: name is missing" },
        { { .struct_size = size, .name = "" }, PAWL_INVALID, PAWL_REASON_NONE, "start: name is missing" },
        { { .struct_size = size, .name = long_text }, PAWL_INVALID, PAWL_REASON_TOO_LARGE, "at most 127" },
        { { .struct_size = size, .name = "\xc3" }, PAWL_INVALID, PAWL_REASON_NONE, "not UTF-8" },
        { { .struct_size = size, .name = "/ask" }, PAWL_INVALID, PAWL_REASON_NONE, "namespace/name" },
        { { .struct_size = size, .name = "none" }, PAWL_NOT_FOUND, PAWL_REASON_NO_DEFINITION, "none" },
        { { .struct_size = size, .name = "other/ask" }, PAWL_NOT_FOUND, PAWL_REASON_NO_DEFINITION, "ask" },
        { { .struct_size = size, .name = "ask", .version = "2.0.0" }, PAWL_NOT_FOUND, PAWL_REASON_NO_DEFINITION, "2.0.0" },
        { { .struct_size = size, .name = "ask", .input = "{\"a\":}" }, PAWL_INVALID, PAWL_REASON_NONE, "start: input: JSON" },
        { { .struct_size = size, .name = "ask", .input = "" }, PAWL_INVALID, PAWL_REASON_NONE, "start: input: JSON" },
        { { .struct_size = size, .name = "ask", .key = "" }, PAWL_INVALID, PAWL_REASON_NONE, "start: key is missing" },
        { { .struct_size = size, .name = "ask", .key = long_text }, PAWL_INVALID, PAWL_REASON_TOO_LARGE, "at most 512" },
        { { .struct_size = size, .name = "ask", .labels = "[]" }, PAWL_INVALID, PAWL_REASON_NONE, "object of texts" },
        { { .struct_size = size, .name = "ask", .labels = "{\"a\":1}" }, PAWL_INVALID, PAWL_REASON_NONE, "'a' must be a text" },
        { { .struct_size = size, .name = "ask", .labels = "{" }, PAWL_INVALID, PAWL_REASON_NONE, "start: labels: JSON" },
        { { .struct_size = size, .name = "ask", .labels = many }, PAWL_INVALID, PAWL_REASON_TOO_LARGE, "at most 64" },
        { { .struct_size = size, .name = "ask", .labels = "{\"\":\"x\"}" }, PAWL_INVALID, PAWL_REASON_TOO_LARGE, "1 to 256" },
        { { .struct_size = size, .name = "ask", .start_at_ms = -1 }, PAWL_INVALID, PAWL_REASON_NONE, "start_at_ms" },
        { { .struct_size = size, .name = "ask", .request = &sizeless }, PAWL_INVALID, PAWL_REASON_NONE, "pawl_request: struct_size" },
        { { .struct_size = size, .name = "ask", .request = &long_key }, PAWL_INVALID, PAWL_REASON_TOO_LARGE, "idempotency key" },
        { { .struct_size = size, .name = "ask", .request = &no_key }, PAWL_INVALID, PAWL_REASON_NONE, "idempotency key is missing" },
        { { .struct_size = size, .name = "ask", .request = &long_actor }, PAWL_INVALID, PAWL_REASON_TOO_LARGE, "actor" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        expect_refused(&f, &cases[i].options, cases[i].code, cases[i].reason, cases[i].says);
    expect_instances(&f, "0");
    fixture_done(&f);
}

TEST(start_handler, an_input_that_is_too_large_is_refused_with_its_limit)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    const size_t length = (16u << 20) + 1;
    char *input = malloc(length + 1);
    EXPECT(input != NULL);
    memset(input, ' ', length);
    input[0] = '1';
    input[length] = '\0';
    pawl_start_options options = named("ask");
    options.input = input;
    expect_refused(&f, &options, PAWL_INVALID, PAWL_REASON_TOO_LARGE, "at most 16777216");
    expect_instances(&f, "0");
    free(input);
    fixture_done(&f);
}

TEST(start_handler, an_input_that_its_schema_refuses_starts_nothing)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    static const char text[] = "document: {dsl: 1.0.0, namespace: test, name: strict, version: 1.0.0}\n"
                               "input: {schema: {document: {type: object, required: [n]}}}\n"
                               "do:\n  - done: {set: {ok: true}}\n";
    EXPECT_OK(pawl_deploy(f.p, text, strlen(text), NULL, NULL, NULL, &f.err), f.err);
    pawl_start_options options = named("strict");
    options.input = "{\"m\":1}";
    expect_refused(&f, &options, PAWL_INVALID, PAWL_REASON_NONE, "n");
    expect_instances(&f, "0");
    options.input = "{\"n\":1}";
    pawl_free(start_with(&f, &options, NULL));
    expect_instances(&f, "1");
    fixture_done(&f);
}

TEST(start_handler, what_is_not_published_is_not_started_but_a_repeat_finds_what_was)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    const pawl_request request = keyed("ann", "r1");
    pawl_start_options options = named("ask"), fresh = named("ask");
    options.request = &request;
    char *id = start_with(&f, &options, NULL);
    EXPECT_OK(pawl_definition_status(f.p, "ask", "1.0.0", "archived", &f.err), f.err);
    expect_refused(&f, &fresh, PAWL_STATE, PAWL_REASON_NOT_STARTABLE, "archived");
    char *again = start_with(&f, &options, NULL);
    EXPECT_TEXT(again, id);
    pawl_free(again);
    EXPECT_OK(pawl_definition_status(f.p, "ask", "1.0.0", "deprecated", &f.err), f.err);
    expect_refused(&f, &fresh, PAWL_STATE, PAWL_REASON_NOT_STARTABLE, "deprecated");
    expect_instances(&f, "1");
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ once, however often */

TEST(start_handler, a_business_key_names_one_instance_and_one_input)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    int existed = -1;
    char *id = start_key(&f, "ask", "k", "{\"n\":1}", &existed);
    EXPECT_INT(existed, 0);
    char *again = start_key(&f, "ask", "k", "{ \"n\" : 1.0 }", &existed);
    EXPECT_INT(existed, 1);
    EXPECT_TEXT(again, id);
    pawl_start_options other = named("ask");
    other.key = "k";
    other.input = "{\"n\":2}";
    expect_refused(&f, &other, PAWL_CONFLICT, PAWL_REASON_KEY_USED, "'k' was used before");
    expect_instances(&f, "1");
    pawl_free(again);
    pawl_free(id);
    fixture_done(&f);
}

TEST(start_handler, a_request_that_comes_again_makes_no_second_instance)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "ask", approval);
    deploy(&f, "two", approval);
    pawl_request request = keyed("ann", "r1"), other_actor = keyed("bob", "r1");
    pawl_start_options options = named("ask");
    options.request = &request;
    options.input = "{\"n\":1}";
    int existed = -1;
    char *id = start_with(&f, &options, &existed);
    EXPECT_INT(existed, 0);
    request.correlation = "of another try"; /* no part of what is asked */
    for (int i = 0; i < 3; i++) {
        char *again = start_with(&f, &options, &existed);
        EXPECT_TEXT(again, id);
        EXPECT_INT(existed, 0); /* the first answer */
        pawl_free(again);
    }
    fixture_close(&f); /* nor does it after its process has gone */
    fixture_open(&f);
    char *again = start_with(&f, &options, &existed);
    EXPECT_TEXT(again, id);
    pawl_free(again);
    expect_instances(&f, "1");
    pawl_start_options reused = options;
    reused.input = "{\"n\":2}";
    expect_refused(&f, &reused, PAWL_CONFLICT, PAWL_REASON_REQUEST_REUSED, "another request");
    reused = options;
    reused.name = "two";
    expect_refused(&f, &reused, PAWL_CONFLICT, PAWL_REASON_REQUEST_REUSED, "another request");
    options.request = &other_actor; /* whose keys are its own */
    char *bobs = start_with(&f, &options, &existed);
    EXPECT(strcmp(bobs, id) != 0);
    expect_instances(&f, "2");
    pawl_free(bobs);
    pawl_free(id);
    fixture_done(&f);
}

TEST(start_handler, an_idempotency_key_beside_a_business_key_is_heard_first)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    const pawl_request request = keyed("ann", "r1"), second = keyed("ann", "r2");
    pawl_start_options options = named("ask");
    options.key = "k";
    options.request = &request;
    int existed = -1;
    char *id = start_with(&f, &options, &existed);
    char *again = start_with(&f, &options, &existed);
    EXPECT_TEXT(again, id);
    EXPECT_INT(existed, 0);
    pawl_free(again);
    options.request = &second; /* another request, for what is there */
    again = start_with(&f, &options, &existed);
    EXPECT_TEXT(again, id);
    EXPECT_INT(existed, 1);
    pawl_free(again);
    options.request = &request;
    options.input = "1";
    expect_refused(&f, &options, PAWL_CONFLICT, PAWL_REASON_REQUEST_REUSED, "another request");
    options.request = &second;
    expect_refused(&f, &options, PAWL_CONFLICT, PAWL_REASON_KEY_USED, "used before");
    expect_instances(&f, "1");
    pawl_free(id);
    fixture_done(&f);
}

typedef struct racing {
    fixture *f;
    const char *key;
    pawl_request request;
    char *ids[16];
    int existed[16];
    pawl_code codes[16];
} racing;

static void race(void *context, unsigned number)
{
    racing *r = context;
    pawl_error err;
    pawl_start_options options = named("ask");
    options.key = r->key;
    options.request = &r->request;
    r->codes[number] = pawl_start(r->f->p, &options, &r->ids[number], &r->existed[number], &err);
}

TEST(start_handler, many_at_once_under_one_idempotency_key_make_one_instance)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "ask", approval);
    racing r = { .f = &f, .request = keyed("ann", "r1") };
    crew_run(16, race, &r);
    for (size_t i = 0; i < 16; i++) {
        EXPECT_INT(r.codes[i], PAWL_OK);
        EXPECT_TEXT(r.ids[i], r.ids[0]);
        EXPECT_INT(r.existed[i], 0); /* all hear the same */
    }
    expect_instances(&f, "1");
    char *log = steps(&f, r.ids[0]);
    EXPECT_ASK(log, ".steps | length", "1");
    pawl_free(log);
    for (size_t i = 0; i < 16; i++)
        pawl_free(r.ids[i]);
    fixture_done(&f);
}

TEST(start_handler, many_at_once_under_one_business_key_make_one_instance)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "ask", approval);
    racing r = { .f = &f, .key = "k", .request = keyed("ann", NULL) };
    crew_run(16, race, &r);
    int first = 0;
    for (size_t i = 0; i < 16; i++) {
        EXPECT_INT(r.codes[i], PAWL_OK);
        EXPECT_TEXT(r.ids[i], r.ids[0]);
        first += r.existed[i] == 0;
    }
    EXPECT_INT(first, 1);
    expect_instances(&f, "1");
    for (size_t i = 0; i < 16; i++)
        pawl_free(r.ids[i]);
    fixture_done(&f);
}

TEST(start_handler, a_caller_that_tries_again_after_the_store_failed_makes_one_instance)
{
    static const bool applied[] = { false, true };
    for (size_t i = 0; i < PW_LENGTH(applied); i++) {
        fixture f;
        fixture_init(&f, "memory:");
        fixture_open(&f);
        deploy(&f, "ask", approval);
        pawl_request request = keyed("ann", "r1");
        pawl_start_options options = named("ask");
        options.request = &request;
        pw_memory_fail_commit(f.p->store, 1, applied[i]); /* once: the committer tries again by itself */
        int existed = -1;
        char *id = start_with(&f, &options, &existed);
        char *again = start_with(&f, &options, &existed);
        EXPECT_TEXT(again, id);
        EXPECT_INT(existed, 0);
        char *text = show(&f, id);
        EXPECT_ASK(text, "[.status, .token]", "[\"waiting\",1]");
        expect_instances(&f, "1");
        pawl_free(text);
        pawl_free(again);
        pawl_free(id);
        fixture_done(&f);
    }
}

TEST_MAIN()
