/* alloc.c - the nth allocation fails, and all after it, for every n, through everything that a
 * program asks of an engine: on both stores.
 *
 * The hook counts the allocations of the whole process, so any thread may be the one that finds no
 * memory, and n does not name the same place in every run. What must hold is the same wherever it
 * hits: the caller is told PAWL_NO_MEMORY and nothing was done, or all of it was done; and once
 * there is memory again, everything goes on to the right end, with a log without gaps. Leaks are
 * the sanitizer's to find.
 *
 * An operation is through when it needed fewer than n allocations. They are few, because most of
 * what the library makes lives in arenas: so no n is left out. */
#include <sqlite3.h>
#include <stdlib.h>
#include "options.h"
#include "test.h"
#include "base/base.h"

enum {
    WAIT_MS = 30000,
    NTH_MAX = 20000, /* far above what any of the operations needs */
    CALM = 5,
    PADDING = 100000, /* bytes */
};

static const char order[] =
    "document: { dsl: '1.0.3', namespace: alloc, name: order, version: '1.0.0' }\n"
    "input: { schema: { document: { required: [ n ] } } }\n"
    "do:\n"
    "  - price: { set: { n: '${ .n }', cost: '${ .n * 120 }', pad: '${ .pad }' } }\n"
    "  - work:\n" /* an activity that finds no memory for its result fails: and is tried again */
    "      try:\n"
    "        - echo: { call: echo, with: { n: '${ .n + 1 }' }, metadata: { pawl: { compensate: { emit: { event: { with: "
    "{ source: 'http://x', type: com.example.back, data: '${ .n }' } } } } } } }\n"
    "      catch: { retry: { delay: { milliseconds: 1 }, limit: { attempt: { count: 5 } } } }\n"
    "      output: { as: '${ $input + { worked: .n } }' }\n"
    "  - sub: { run: { workflow: { namespace: alloc, name: sub, version: latest, input: { n: '${ "
    ".n "
    "}' } } }, output: { as: '${ $input + { sub: .n } }' } }\n"
    "  - ask:\n"
    "      call: userTask\n"
    "      with: { key: ok, title: Well, form: { schema: { properties: { answer: { pattern: '^[yn]' } } } } }\n"
    "      output: { as: '${ $input + { answer: .answer } }' }\n"
    "  - tell: { emit: { event: { with: { type: com.example.told, data: '${ . }' } } }, output: { "
    "as: '${ $input }' } }\n"
    "  - done: { set: '${ {cost, worked, sub, answer} }' }\n";

static const char sub[] =
    "document: { dsl: '1.0.3', namespace: alloc, name: sub, version: '1.0.0' }\n"
    "do: [ { twice: { set: { n: '${ .n * 2 }' } } } ]\n";

/* What is done is undone by events, so that nothing fails that is not ours. */
#define EVENT(type) "{ emit: { event: { with: { source: 'http://x', type: com.example." type " } } }"
#define UNDONE(name) "  - " name ": " EVENT("done") ", metadata: { pawl: { compensate: " EVENT("undone") " } } } }\n"
static const char back[] =
    "document: { dsl: '1.0.3', namespace: alloc, name: back, version: '1.0.0' }\n"
    "do:\n" UNDONE("one") UNDONE("two") "  - ask: { call: userTask, with: { key: ok } }\n";

static const char output_expected[] = "{\"cost\":360,\"worked\":4,\"sub\":6,\"answer\":\"yes\"}";

/* ---- an engine */

static pawl_code echo(pawl_activity *activity, const char *input, void *context)
{
    (void)context;
    pawl_error err;
    if (pawl_activity_return(activity, input, &err) != PAWL_OK)
        return pawl_activity_fail(activity, 503, "no memory", err.message);
    return PAWL_OK;
}

typedef struct fixture {
    pawl *p;
    char store[512];
    pawl_activity_options activity;
    pawl_options options;
    pawl_error err;
} fixture;

static void fixture_init(fixture *f, bool on_disk)
{
    memset(f, 0, sizeof *f);
    if (on_disk)
        (void)snprintf(f->store, sizeof f->store, "%.400s/pawl.db", pw_test_dir());
    else
        (void)snprintf(f->store, sizeof f->store, "memory:");
    f->activity =
        (pawl_activity_options){ .struct_size = sizeof f->activity, .name = "echo", .run = echo };
    f->options = test_options();
    f->options.store = f->store;
    f->options.step_threads = 1;
    f->options.activity_threads = 1;
    f->options.activities = &f->activity;
    f->options.activity_count = 1;
}

static void fixture_open(fixture *f)
{
    EXPECT_OK(pawl_open(&f->p, &f->options, &f->err), f->err);
    EXPECT_OK(pawl_deploy(f->p, sub, strlen(sub), NULL, NULL, NULL, &f->err), f->err);
    EXPECT_OK(pawl_deploy(f->p, order, strlen(order), NULL, NULL, NULL, &f->err), f->err);
    EXPECT_OK(pawl_deploy(f->p, back, strlen(back), NULL, NULL, NULL, &f->err), f->err);
}

static void fixture_done(fixture *f)
{
    pawl_close(f->p);
}

/* ---- memory that runs out */

typedef struct shortage {
    uint64_t nth, before;
} shortage;

static shortage begin_shortage(uint64_t nth)
{
    shortage s = { nth, pw_alloc_count() };
    pw_alloc_fail_after(nth);
    return s;
}

static bool was_short(const shortage *s)
{
    return pw_alloc_count() - s->before >= s->nth;
}

static bool end_shortage(const shortage *s) /* whether anything had failed */
{
    bool happened = was_short(s);
    pw_alloc_fail_after(0);
    return happened;
}

/* Through: a few times one after the other, since what other threads allocate is not always the
 * same. Says how far it went. */
static bool goes_on(unsigned nth, bool happened, unsigned *calm)
{
    *calm = happened ? 0 : *calm + 1;
    if (nth >= NTH_MAX)
        fail_msg("allocation %u still fails", nth);
    if (*calm < CALM)
        return true;
    printf("# %u allocations\n", nth - CALM);
    return false;
}

#define EXPECT_DONE_OR_NO_MEMORY(code, err)                                                        \
    do {                                                                                           \
        if ((code) != PAWL_OK && (code) != PAWL_NO_MEMORY)                                         \
            fail_msg("allocation %u: %s: %s", (unsigned)nth, pawl_code_name(code), (err).message); \
    } while (0)

/* ---- what an instance came to */

static void keep_first(void *context, const char *json)
{
    char *into = context;
    if (!into[0])
        (void)snprintf(into, 1024, "%s", json);
}

static void expect_ask(const char *json, const char *expression, const char *expected)
{
    char answer[1024] = "";
    pawl_error err;
    EXPECT_OK(pawl_eval(expression, json, NULL, keep_first, answer, &err), err);
    EXPECT_TEXT(answer, expected);
}

/* The padding takes a step through several chunks of its arena. */
static pawl_code start(fixture *f, unsigned number, char **id, int *existed)
{
    static char input[PADDING + 64];
    (void)snprintf(input, sizeof input, "{\"n\":3,\"pad\":\"%0*d\"}", PADDING, 0);
    char key[32];
    (void)snprintf(key, sizeof key, "k%u", number);
    const pawl_start_options options = {
        .struct_size = sizeof options, .name = "alloc/order", .input = input, .key = key
    };
    return pawl_start(f->p, &options, id, existed, &f->err);
}

/* Waits for the question, whatever there was no memory for on the way to it. */
static void expect_question(fixture *f, const char *id)
{
    char *text = NULL;
    EXPECT_OK(pawl_wait(f->p, id, PAWL_WAIT_SETTLED, WAIT_MS, &text, &f->err), f->err);
    expect_ask(text, "[.status, .waits[].key]", "[\"waiting\",\"ok\"]");
    pawl_free(text);
}

/* The end, the output, and a log in which everything happened once. */
static void expect_end(fixture *f, const char *id)
{
    char *text = NULL;
    EXPECT_OK(pawl_wait(f->p, id, PAWL_WAIT_END, WAIT_MS, &text, &f->err), f->err);
    expect_ask(text, ".status", "\"completed\"");
    expect_ask(text, ".output", output_expected);
    char token[1024] = "";
    EXPECT_OK(pawl_eval(".token", text, NULL, keep_first, token, &f->err), f->err);
    pawl_free(text);
    text = NULL;
    EXPECT_OK(pawl_log(f->p, id, 1, 0, &text, &f->err), f->err);
    expect_ask(text, "[.steps[].sequence] == [range(1; (.steps | length) + 1)]", "true");
    expect_ask(text, ".steps | length", token);
    expect_ask(text, "[.steps[].entries[].type | select(startswith(\"instance.\"))] | join(\" \")",
               "\"instance.started instance.completed\"");
    expect_ask(text, "[.steps[].entries[] | select(.type == \"bookmark.consumed\")] | length", "1");
    expect_ask(
        text,
        "[.steps[].entries[] | select(.type == \"task.completed\") | .task] | (length == (unique "
        "| length)) and length >= 5",
        "true");
    pawl_free(text);
}

/* ---- the cases, each for both stores */

static void deploy_case(bool on_disk)
{
    fixture f;
    fixture_init(&f, on_disk);
    fixture_open(&f);
    unsigned nth = 1, calm = 0, refused = 0;
    for (bool happened = true; goes_on(nth - 1, happened, &calm); nth++) {
        char text[400], *out = NULL;
        (void)snprintf(text, sizeof text,
                       "document: { dsl: '1.0.3', namespace: alloc, name: d%u, version: '1.0.0' }\n"
                       "do: [ { a: { set: { x: '${ [.y, 1] | add }' } } }, { b: { call: echo, "
                       "with: {} } } ]\n",
                       nth);
        shortage s = begin_shortage(nth);
        pawl_code code = pawl_deploy(f.p, text, strlen(text), NULL, NULL, &out, &f.err);
        happened = end_shortage(&s);
        EXPECT_DONE_OR_NO_MEMORY(code, f.err);
        EXPECT((code == PAWL_OK) == (out != NULL));
        refused += code != PAWL_OK;
        if (code != PAWL_OK) {
            EXPECT_OK(pawl_deploy(f.p, text, strlen(text), NULL, NULL, &out, &f.err), f.err);
            expect_ask(out, ".created", "true");
        }
        pawl_free(out);
    }
    EXPECT(refused > 5);
    fixture_done(&f);
}

/* From the start to the question: the caller's part, the steps, the activity. */
static void start_case(bool on_disk)
{
    fixture f;
    fixture_init(&f, on_disk);
    fixture_open(&f);
    unsigned nth = 1, calm = 0, refused = 0, accepted = 0;
    for (bool happened = true; goes_on(nth - 1, happened, &calm); nth++) {
        char *id = NULL;
        int existed = -1;
        shortage s = begin_shortage(nth);
        pawl_code code = start(&f, nth, &id, &existed);
        while (code == PAWL_OK && !was_short(&s)) { /* what comes behind the start */
            pawl_code waited = pawl_wait(f.p, id, PAWL_WAIT_SETTLED, 1, NULL, &f.err);
            if (waited == PAWL_OK)
                break;
            EXPECT(waited == PAWL_TIMEOUT || waited == PAWL_NO_MEMORY);
        }
        happened = end_shortage(&s);
        EXPECT_DONE_OR_NO_MEMORY(code, f.err);
        EXPECT((code == PAWL_OK) == (id != NULL));
        if (code != PAWL_OK) {
            refused++;
            EXPECT_OK(start(&f, nth, &id, &existed), f.err);
        } else {
            accepted++;
        }
        EXPECT_INT(existed, 0); /* what was refused had not begun */
        expect_question(&f, id);
        EXPECT_OK(pawl_resume(f.p, id, "ok", "{\"answer\":\"yes\"}", NULL, &f.err), f.err);
        expect_end(&f, id);
        pawl_free(id);
    }
    EXPECT(refused > 5 && accepted > 5);
    fixture_done(&f);
}

/* From the answer to the end. */
static void resume_case(bool on_disk)
{
    fixture f;
    fixture_init(&f, on_disk);
    fixture_open(&f);
    unsigned nth = 1, calm = 0, refused = 0;
    for (bool happened = true; goes_on(nth - 1, happened, &calm); nth++) {
        char *id = NULL;
        EXPECT_OK(start(&f, nth, &id, NULL), f.err);
        expect_question(&f, id);
        shortage s = begin_shortage(nth);
        pawl_code code = pawl_resume(f.p, id, "ok", "{\"answer\":\"no\"}", NULL, &f.err);
        happened = end_shortage(&s);
        EXPECT_DONE_OR_NO_MEMORY(code, f.err);
        if (code == PAWL_NO_MEMORY) { /* another answer is taken: the first one was not */
            refused++;
            EXPECT_OK(pawl_resume(f.p, id, "ok", "{\"answer\":\"yes\"}", NULL, &f.err), f.err);
            expect_end(&f, id);
        } else {
            char *text = NULL;
            EXPECT_OK(pawl_wait(f.p, id, PAWL_WAIT_END, WAIT_MS, &text, &f.err), f.err);
            expect_ask(text, "[.status, .output.answer]", "[\"completed\",\"no\"]");
            pawl_free(text);
        }
        pawl_free(id);
    }
    EXPECT(refused > 5);
    fixture_done(&f);
}

/* From the wish to the end: the plan is read, what was done is undone. */
static void compensate_case(bool on_disk)
{
    fixture f;
    fixture_init(&f, on_disk);
    fixture_open(&f);
    unsigned nth = 1, calm = 0, refused = 0, accepted = 0;
    for (bool happened = true; goes_on(nth - 1, happened, &calm); nth++) {
        char *id = NULL, *text = NULL;
        const pawl_start_options options = { .struct_size = sizeof options, .name = "alloc/back" };
        EXPECT_OK(pawl_start(f.p, &options, &id, NULL, &f.err), f.err);
        expect_question(&f, id);
        const pawl_act_options wish = { .struct_size = sizeof wish, .id = id, .action = PAWL_COMPENSATE };
        shortage s = begin_shortage(nth);
        pawl_code code = pawl_act(f.p, &wish, NULL, NULL, &f.err);
        while (code == PAWL_OK && !was_short(&s)) { /* what comes behind it */
            pawl_code waited = pawl_wait(f.p, id, PAWL_WAIT_END, 1, NULL, &f.err);
            if (waited == PAWL_OK)
                break;
            EXPECT(waited == PAWL_TIMEOUT || waited == PAWL_NO_MEMORY);
        }
        happened = end_shortage(&s);
        EXPECT_DONE_OR_NO_MEMORY(code, f.err);
        *(code == PAWL_OK ? &accepted : &refused) += 1;
        if (code != PAWL_OK)
            EXPECT_OK(pawl_act(f.p, &wish, NULL, &text, &f.err), f.err);
        if (text)
            expect_ask(text, ".repeated", "false"); /* what was refused had not begun */
        pawl_free(text);
        EXPECT_OK(pawl_wait(f.p, id, PAWL_WAIT_END, WAIT_MS, &text, &f.err), f.err);
        expect_ask(text, ".status", "\"compensated\"");
        pawl_free(text);
        EXPECT_OK(pawl_compensation(f.p, id, NULL, 0, &text, &f.err), f.err);
        expect_ask(text, "[.left, [.steps[] | [.name, .state]]]", "[0,[[\"two\",\"done\"],[\"one\",\"done\"]]]");
        pawl_free(text);
        EXPECT_OK(pawl_log(f.p, id, 1, 0, &text, &f.err), f.err);
        expect_ask(text, "[.steps[].sequence] == [range(1; (.steps | length) + 1)]", "true");
        expect_ask(text, "[.steps[].entries[] | select(.type == \"compensation.started\", .type == \"compensation.completed\")] | length", "2");
        pawl_free(text);
        pawl_free(id);
    }
    EXPECT(refused > 0 && accepted > 5);
    fixture_done(&f);
}

static pawl_code show_one(fixture *f, const char *id, char **out)
{
    return pawl_show(f->p, id, out, &f->err);
}

static pawl_code log_one(fixture *f, const char *id, char **out)
{
    return pawl_log(f->p, id, 1, 0, out, &f->err);
}

static pawl_code list_all(fixture *f, const char *id, char **out)
{
    (void)id;
    const pawl_list_options options = { .struct_size = sizeof options };
    return pawl_list(f->p, &options, out, &f->err);
}

static pawl_code plan_one(fixture *f, const char *id, char **out)
{
    return pawl_compensation(f->p, id, NULL, 0, out, &f->err);
}

static pawl_code foresee_one(fixture *f, const char *id, char **out)
{
    const pawl_act_options dry = {
        .struct_size = sizeof dry, .id = id, .action = PAWL_COMPENSATE, .reason = "what if", .dry_run = 1
    };
    return pawl_act(f->p, &dry, NULL, out, &f->err);
}

static pawl_code wait_for_it(fixture *f, const char *id, char **out)
{
    return pawl_wait(f->p, id, PAWL_WAIT_SETTLED, WAIT_MS, out, &f->err);
}

static pawl_code command_show(fixture *f, const char *id, char **out)
{
    char request[128];
    (void)snprintf(request, sizeof request, "{\"command\":\"show\",\"id\":\"%s\"}", id);
    pawl_code code = pawl_command(f->p, request, out, &f->err);
    if (code != PAWL_OK || !strstr(*out, "\"no-memory\""))
        return code;
    pawl_free(*out); /* the refusal as an answer */
    *out = NULL;
    return PAWL_NO_MEMORY;
}

static pawl_code definitions_all(fixture *f, const char *id, char **out)
{
    (void)id;
    return pawl_definitions(f->p, NULL, out, &f->err);
}

static pawl_code definition_one(fixture *f, const char *id, char **out)
{
    (void)id;
    return pawl_definition(f->p, "alloc/order", NULL, out, &f->err);
}

static pawl_code graph_json(fixture *f, const char *id, char **out)
{
    (void)id;
    return pawl_graph(order, strlen(order), PAWL_GRAPH_JSON, NULL, NULL, out, &f->err);
}

static pawl_code graph_mermaid(fixture *f, const char *id, char **out)
{
    (void)id;
    return pawl_graph(order, strlen(order), PAWL_GRAPH_MERMAID, NULL, NULL, out, &f->err);
}

static pawl_code graph_dot(fixture *f, const char *id, char **out)
{
    (void)id;
    return pawl_graph(order, strlen(order), PAWL_GRAPH_DOT, NULL, NULL, out, &f->err);
}

/* Looking gives the whole answer, or none. */
static void look_case(bool on_disk)
{
    static pawl_code (*const looks[])(fixture *, const char *, char **) = {
        show_one,        log_one,        list_all,   wait_for_it,   command_show,
        definitions_all, definition_one, graph_json, graph_mermaid, graph_dot, plan_one, foresee_one
    };
    fixture f;
    fixture_init(&f, on_disk);
    fixture_open(&f);
    char *id = NULL;
    EXPECT_OK(start(&f, 0, &id, NULL), f.err);
    expect_question(&f, id);
    for (size_t i = 0; i < PW_LENGTH(looks); i++) {
        char *expected = NULL;
        EXPECT_OK(looks[i](&f, id, &expected), f.err);
        unsigned nth = 1, calm = 0, refused = 0;
        for (bool happened = true; goes_on(nth - 1, happened, &calm); nth++) {
            char *text = NULL;
            shortage s = begin_shortage(nth);
            pawl_code code = looks[i](&f, id, &text);
            happened = end_shortage(&s);
            EXPECT_DONE_OR_NO_MEMORY(code, f.err);
            EXPECT((code == PAWL_OK) == (text != NULL));
            if (code == PAWL_OK)
                EXPECT_TEXT(text, expected);
            refused += code != PAWL_OK;
            pawl_free(text);
        }
        EXPECT(refused > 0);
        pawl_free(expected);
    }
    EXPECT_OK(pawl_resume(f.p, id, "ok", "{\"answer\":\"yes\"}", NULL, &f.err), f.err);
    expect_end(&f, id);
    pawl_free(id);
    fixture_done(&f);
}

TEST(alloc, deploying_in_memory)
{
    deploy_case(false);
}

TEST(alloc, deploying_on_disk)
{
    deploy_case(true);
}

TEST(alloc, starting_and_stepping_in_memory)
{
    start_case(false);
}

TEST(alloc, starting_and_stepping_on_disk)
{
    start_case(true);
}

TEST(alloc, resuming_in_memory)
{
    resume_case(false);
}

TEST(alloc, resuming_on_disk)
{
    resume_case(true);
}

TEST(alloc, compensating_in_memory)
{
    compensate_case(false);
}

TEST(alloc, compensating_on_disk)
{
    compensate_case(true);
}

TEST(alloc, looking_in_memory)
{
    look_case(false);
}

/* A status is set, or it is not. */
static void status_case(bool on_disk)
{
    fixture f;
    fixture_init(&f, on_disk);
    fixture_open(&f);
    unsigned nth = 1, calm = 0, refused = 0;
    for (bool happened = true; goes_on(nth - 1, happened, &calm); nth++) {
        shortage s = begin_shortage(nth);
        pawl_code code = pawl_definition_status(f.p, "order", "1.0.0", "archived", &f.err);
        happened = end_shortage(&s);
        EXPECT_DONE_OR_NO_MEMORY(code, f.err);
        char *id = NULL;
        EXPECT_INT(start(&f, nth, &id, NULL), code == PAWL_OK ? PAWL_STATE : PAWL_OK);
        EXPECT((code == PAWL_OK) == (id == NULL));
        pawl_free(id);
        refused += code != PAWL_OK;
        EXPECT_OK(pawl_definition_status(f.p, "order", "1.0.0", "published", &f.err), f.err);
    }
    EXPECT(refused > 0);
    fixture_done(&f);
}

TEST(alloc, setting_a_status_in_memory)
{
    status_case(false);
}

TEST(alloc, setting_a_status_on_disk)
{
    status_case(true);
}

/* ---- jobs */

static const char boxes[] =
    "document: { dsl: '1.0.3', namespace: alloc, name: boxes, version: '1.0.0' }\n"
    "do: [ { pack: { call: pack, with: { n: 1 }, metadata: { pawl: { priority: 3 } } } } ]\n";

static pawl_code start_boxes(fixture *f, unsigned number, char **id)
{
    char key[32];
    (void)snprintf(key, sizeof key, "boxes-%u", number);
    const pawl_start_options options = { .struct_size = sizeof options,
                                         .name = "alloc/boxes",
                                         .key = key };
    return pawl_start(f->p, &options, id, NULL, &f->err);
}

static pawl_code take_box(fixture *f, uint64_t wait_ms, char token[128])
{
    static const char *const functions[] = { "pack" };
    const pawl_poll_options options = { .struct_size = sizeof options,
                                        .functions = functions,
                                        .function_count = 1,
                                        .namespaces = "[\"alloc\"]",
                                        .wait_ms = wait_ms };
    char *jobs = NULL;
    token[0] = '\0';
    pawl_code code = pawl_jobs_poll(f->p, &options, &jobs, &f->err);
    if (code == PAWL_OK && strcmp(jobs, "{\"jobs\":[]}") != 0)
        EXPECT_INT(sscanf(jobs, "{\"jobs\":[{\"token\":\"%127[^\"]\"", token), 1);
    pawl_free(jobs);
    return code;
}

/* From the start to the result, with a worker that finds no memory in the engine. */
static void job_case(bool on_disk)
{
    fixture f;
    fixture_init(&f, on_disk);
    fixture_open(&f);
    EXPECT_OK(pawl_deploy(f.p, boxes, strlen(boxes), NULL, NULL, NULL, &f.err), f.err);
    unsigned nth = 1, calm = 0, refused[4] = { 0 };
    for (bool happened = true; goes_on(nth - 1, happened, &calm); nth++) {
        char *id = NULL, token[128] = "", *beat = NULL, *told = NULL, *text = NULL;
        pawl_code codes[4] = { PAWL_OK, PAWL_OK, PAWL_OK, PAWL_NO_MEMORY };
        shortage s = begin_shortage(nth);
        codes[0] = start_boxes(&f, nth, &id);
        if (codes[0] == PAWL_OK)
            codes[1] = take_box(&f, 20, token);
        if (token[0])
            codes[2] = pawl_job_heartbeat(f.p, token, 0, "{\"n\":1}", &beat, &f.err);
        if (token[0])
            codes[3] = pawl_job_complete(f.p, token, "{\"packed\":1}", NULL, &told, &f.err);
        happened = end_shortage(&s);
        for (int i = 0; i < 4; i++) {
            EXPECT_DONE_OR_NO_MEMORY(codes[i], f.err);
            refused[i] += codes[i] != PAWL_OK;
        }
        if (codes[0] != PAWL_OK)
            EXPECT_OK(start_boxes(&f, nth, &id), f.err);
        while (!token[0])
            EXPECT_OK(take_box(&f, WAIT_MS, token), f.err);
        if (codes[3] != PAWL_OK) { /* it was not taken */
            EXPECT_OK(pawl_job_complete(f.p, token, "2", NULL, &told, &f.err), f.err);
            EXPECT_TEXT(told, "{\"repeated\":false}");
        }
        EXPECT_OK(pawl_wait(f.p, id, PAWL_WAIT_END, WAIT_MS, &text, &f.err), f.err);
        expect_ask(text, "[.status, .token]", "[\"completed\",2]");
        expect_ask(text, ".output", codes[3] == PAWL_OK ? "{\"packed\":1}" : "2");
        pawl_free(beat);
        pawl_free(told);
        pawl_free(text);
        pawl_free(id);
    }
    EXPECT(refused[0] > 5 && refused[1] > 5 && refused[2] > 2 && refused[3] > 5);
    fixture_done(&f);
}

TEST(alloc, doing_jobs_in_memory)
{
    job_case(false);
}

TEST(alloc, doing_jobs_on_disk)
{
    job_case(true);
}

TEST(alloc, looking_on_disk)
{
    look_case(true);
}

/* An engine that opens and recovers: it is refused, or it drives what it found. */
TEST(alloc, opening_and_recovering)
{
    fixture f;
    fixture_init(&f, true);
    unsigned nth = 1, calm = 0, refused = 0;
    for (bool happened = true; goes_on(nth - 1, happened, &calm); nth++) {
        char *id = NULL;
        fixture_open(&f);
        EXPECT_OK(start(&f, nth, &id, NULL), f.err);
        pawl_close(f.p); /* with the activity perhaps in flight */
        f.p = NULL;
        shortage s = begin_shortage(nth);
        pawl_code code = pawl_open(&f.p, &f.options, &f.err);
        happened = end_shortage(&s);
        EXPECT_DONE_OR_NO_MEMORY(code, f.err);
        EXPECT((code == PAWL_OK) == (f.p != NULL));
        refused += code != PAWL_OK;
        if (code != PAWL_OK)
            EXPECT_OK(pawl_open(&f.p, &f.options, &f.err), f.err);
        expect_question(&f, id);
        EXPECT_OK(pawl_resume(f.p, id, "ok", "{\"answer\":\"yes\"}", NULL, &f.err), f.err);
        expect_end(&f, id);
        pawl_free(id);
        pawl_close(f.p);
        f.p = NULL;
    }
    EXPECT(refused > 10);
    sqlite3 *db = NULL;
    sqlite3_stmt *check = NULL;
    EXPECT_INT(sqlite3_open(f.store, &db), SQLITE_OK);
    EXPECT_INT(sqlite3_prepare_v2(db, "SELECT count(*) FROM instance WHERE status <> 'completed'",
                                  -1, &check, NULL),
               SQLITE_OK);
    EXPECT_INT(sqlite3_step(check), SQLITE_ROW);
    EXPECT_INT(sqlite3_column_int(check, 0), 0);
    EXPECT_INT(sqlite3_finalize(check), SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
}

TEST_MAIN()
