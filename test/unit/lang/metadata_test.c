/* The published schema of `metadata.pawl` says what the validator does: each of its properties is
 * known to it, and each known key is one of its properties. */
#include "fixture.h"
#include "base/json.h"

static const char *const known_of_document[] = { "lifecycle", "schedule", "compensation" };
static const char *const closes[] = { "cancel", "leave" };

static pw_value schema(pw_arena *arena, const char *part)
{
    pw_value all;
    pawl_error err;
    EXPECT_OK(pw_json_parse(&all, pw_str_of(pw_lang_metadata_schema()), NULL, arena, &err), err);
    EXPECT_STR(pw_get_text(all, "$schema"), "https://json-schema.org/draft/2020-12/schema");
    return pw_get(pw_get_lit(all, "$defs"), pw_str_of(part));
}

/* A document with `key: {}` below metadata.pawl of the document, or of its only task. */
static void load_key(loaded *l, bool document, const char *key)
{
    char text[512], ours[64];
    (void)snprintf(ours, sizeof ours,
                   key ? "metadata: { pawl: { %s: {} } }" : "metadata: { pawl: {} }", key);
    (void)snprintf(text, sizeof text,
                   "document: { dsl: 1.0.3, namespace: a, name: b, version: 1.0.0, %s }\n"
                   "do: [ { c: { set: { x: 1 }, %s } } ]\n",
                   document ? ours : "tags: {}", document ? "metadata: {}" : ours);
    load_text(l, pw_str_of(text));
}

/* What is there is valid; anything else is refused by both. `others`: properties with tests of
 * their own. */
static void check(const char *part, bool document, const char *const *known, size_t known_count,
                  size_t others)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    loaded l;
    pw_value described = schema(&arena, part), properties = pw_get_lit(described, "properties");
    EXPECT(pw_is(pw_get_lit(described, "additionalProperties"), PW_FALSE));
    EXPECT_INT(properties.count, known_count + others);
    for (size_t i = 0; i < known_count; i++) {
        pw_value property = pw_get(properties, pw_str_of(known[i]));
        EXPECT_STR(pw_get_text(property, "type"), "object");
        load_key(&l, document, known[i]);
        EXPECT_INT(l.code, PAWL_OK);
        unload(&l);
    }
    load_key(&l, document, "somethingElse");
    EXPECT_INT(l.findings.count, 1);
    EXPECT_INT(l.findings.items[0].kind, PAWL_FINDING_UNKNOWN_MEMBER);
    unload(&l);
    load_key(&l, document, NULL);
    EXPECT_INT(l.code, PAWL_OK);
    unload(&l);
    pw_arena_done(&arena);
}

TEST(metadata, the_schema_says_what_is_known_in_a_document)
{
    check("document", true, known_of_document, PW_LENGTH(known_of_document), 1);
}

TEST(metadata, the_schema_says_what_is_known_on_a_task)
{
    check("task", false, NULL, 0, 5);
}

TEST(metadata, parent_close_is_of_tasks_that_run_a_workflow)
{
    static const struct {
        const char *task, *close;
        pawl_finding_kind kind;
    } bad[] = {
        { "set: { x: 1 }", "cancel", PAWL_FINDING_VALUE },
        { "run: { workflow: { namespace: a, name: b, version: 1.0.0 } }", "stop",
          PAWL_FINDING_VALUE },
        { "run: { workflow: { namespace: a, name: b, version: 1.0.0 } }", "true",
          PAWL_FINDING_TYPE },
        { "run: { workflow: { namespace: a, name: b, version: 1.0.0 }, await: false }", "cancel",
          PAWL_FINDING_VALUE },
    };
    static const char document[] =
        "document: { dsl: 1.0.3, namespace: a, name: b, version: 1.0.0 }\n"
        "do: [ { c: { %s, metadata: { pawl: { parentClose: %s } } } } ]\n";
    loaded l;
    char text[512];
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        (void)snprintf(text, sizeof text, document, bad[i].task, bad[i].close);
        load_text(&l, pw_str_of(text));
        EXPECT_INT(l.findings.count, 1);
        EXPECT_INT(l.findings.items[0].kind, bad[i].kind);
        EXPECT_STR(l.findings.items[0].pointer, "/do/0/c/metadata/pawl/parentClose");
        unload(&l);
    }
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value property = pw_get_lit(pw_get_lit(schema(&arena, "task"), "properties"), "parentClose");
    pw_value values = pw_get_lit(property, "enum");
    EXPECT_INT(values.count, PW_LENGTH(closes));
    for (uint32_t i = 0; i < PW_LENGTH(closes); i++) {
        EXPECT_STR(pw_text(pw_item(values, i)), closes[i]);
        (void)snprintf(text, sizeof text, document,
                       "run: { workflow: { namespace: a, name: b, version: 1.0.0 } }", closes[i]);
        load_text(&l, pw_str_of(text));
        EXPECT_INT(l.code, PAWL_OK);
        EXPECT_INT(l.program->tasks[0]->as.run.close, i ? PW_CLOSE_LEAVE : PW_CLOSE_CANCEL);
        unload(&l);
    }
    pw_arena_done(&arena);
}

TEST(metadata, priority_is_an_integer_of_tasks_that_call_an_activity)
{
    static const struct {
        const char *task, *priority;
        pawl_finding_kind kind;
    } bad[] = {
        { "set: { x: 1 }", "1", PAWL_FINDING_VALUE },
        { "run: { workflow: { namespace: a, name: b, version: 1.0.0 } }", "1", PAWL_FINDING_VALUE },
        { "call: http, with: { method: get, endpoint: 'http://x/' }", "1", PAWL_FINDING_VALUE },
        { "call: userTask", "1", PAWL_FINDING_VALUE },
        { "call: own", "1", PAWL_FINDING_VALUE },
        { "call: work", "high", PAWL_FINDING_TYPE },
        { "call: work", "1.5", PAWL_FINDING_VALUE },
        { "call: work", "2147483648", PAWL_FINDING_VALUE },
    };
    static const char document[] =
        "document: { dsl: 1.0.3, namespace: a, name: b, version: 1.0.0 }\n"
        "use: { functions: { own: { set: { x: 1 } } } }\n"
        "do: [ { c: { %s, metadata: { pawl: { priority: %s } } } }, { d: { call: own } } ]\n";
    loaded l;
    char text[512];
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        (void)snprintf(text, sizeof text, document, bad[i].task, bad[i].priority);
        load_text(&l, pw_str_of(text));
        EXPECT_INT(l.findings.count, 1);
        EXPECT_INT(l.findings.items[0].kind, bad[i].kind);
        EXPECT_STR(l.findings.items[0].pointer, "/do/0/c/metadata/pawl/priority");
        unload(&l);
    }
    static const char *const good[] = { "-2147483648", "0", "2147483647" };
    static const int32_t numbers[] = { INT32_MIN, 0, INT32_MAX };
    for (size_t i = 0; i < PW_LENGTH(good); i++) {
        (void)snprintf(text, sizeof text, document, "call: work", good[i]);
        load_text(&l, pw_str_of(text));
        EXPECT_INT(l.code, PAWL_OK);
        EXPECT_INT(l.program->tasks[1]->as.call.priority, numbers[i]);
        unload(&l);
    }
}

/* ---- lifecycle */

static void load_lifecycle(loaded *l, const char *text)
{
    char document[512];
    (void)snprintf(document, sizeof document,
                   "document: { dsl: 1.0.3, namespace: a, name: b, version: 1.0.0,\n"
                   "  metadata: { pawl: { lifecycle: %s } } }\n"
                   "do: []\n",
                   text);
    load_text(l, pw_str_of(document));
}

/* The kinds of the schema, each loaded alone, are the kinds of the program, each once. */
static void check_kinds(const char *member, unsigned all)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    loaded l;
    pw_value lifecycle =
        pw_get_lit(pw_get_lit(schema(&arena, "document"), "properties"), "lifecycle");
    EXPECT(pw_is(pw_get_lit(lifecycle, "additionalProperties"), PW_FALSE));
    EXPECT_INT(pw_get_lit(lifecycle, "properties").count, 3);
    pw_value one_of =
        pw_get_lit(pw_get(pw_get_lit(lifecycle, "properties"), pw_str_of(member)), "oneOf");
    pw_value kinds = pw_get_lit(pw_get_lit(pw_item(one_of, 1), "items"), "enum");
    EXPECT_INT(kinds.count, 8);
    unsigned seen = 0;
    for (uint32_t i = 0; i < kinds.count; i++) {
        char text[64];
        pw_str kind = pw_text(pw_item(kinds, i));
        (void)snprintf(text, sizeof text, "{ %s: [ " PW_FMT " ] }", member, PW_ARG(kind));
        load_lifecycle(&l, text);
        EXPECT_INT(l.findings.count, 0);
        bool workflow = strcmp(member, "workflow") == 0;
        unsigned bit = workflow ? l.program->lifecycle.workflow : l.program->lifecycle.tasks;
        EXPECT(bit != 0 && (bit & (bit - 1)) == 0 && !(seen & bit));
        seen |= bit;
        unload(&l);
    }
    EXPECT_INT(seen, all);
    pw_arena_done(&arena);
}

TEST(metadata, the_schema_lists_the_lifecycle_events_of_an_instance)
{
    check_kinds("workflow", PW_LIFE_OF_WORKFLOW);
}

TEST(metadata, the_schema_lists_the_lifecycle_events_of_a_task)
{
    check_kinds("tasks", PW_LIFE_OF_TASKS);
}

TEST(metadata, lifecycle_events_of_the_instance_are_on_and_those_of_tasks_off)
{
    static const struct {
        const char *text;
        unsigned workflow, tasks;
        bool workflow_output, task_output;
    } rows[] = {
        { "{}", PW_LIFE_OF_WORKFLOW, 0, true, false },
        { "{ workflow: all, tasks: none }", PW_LIFE_OF_WORKFLOW, 0, true, false },
        { "{ workflow: none, tasks: all }", 0, PW_LIFE_OF_TASKS, true, false },
        { "{ workflow: [], tasks: [ retried, faulted ], output: true }", 0,
          PW_BIT(PW_LIFE_RETRIED) | PW_BIT(PW_LIFE_FAULTED), true, true },
        { "{ output: false }", PW_LIFE_OF_WORKFLOW, 0, false, false },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        loaded l;
        load_lifecycle(&l, rows[i].text);
        EXPECT_INT(l.findings.count, 0);
        EXPECT_INT(l.program->lifecycle.workflow, rows[i].workflow);
        EXPECT_INT(l.program->lifecycle.tasks, rows[i].tasks);
        EXPECT_INT(l.program->lifecycle.workflow_output, rows[i].workflow_output);
        EXPECT_INT(l.program->lifecycle.task_output, rows[i].task_output);
        unload(&l);
    }
    loaded l;
    load_key(&l, true, NULL);
    EXPECT_INT(l.program->lifecycle.workflow, PW_LIFE_OF_WORKFLOW);
    EXPECT_INT(l.program->lifecycle.tasks, 0);
    EXPECT(l.program->lifecycle.workflow_output && !l.program->lifecycle.task_output);
    unload(&l);
}

/* ---- schedule */

/* A document with a schedule, and this member of metadata.pawl.schedule. */
static void load_schedule(loaded *l, const char *schedule, const char *ours)
{
    char text[512];
    (void)snprintf(
        text, sizeof text,
        "document: { dsl: 1.0.3, namespace: a, name: b, version: 1.0.0, metadata: { pawl: "
        "{ schedule: { %s } } } }\nschedule: { %s }\ndo: []\n",
        ours, schedule);
    load_text(l, pw_str_of(text));
}

TEST(metadata, the_schema_of_a_schedule_is_what_is_read)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    loaded l;
    pw_value ours = pw_get_lit(pw_get_lit(schema(&arena, "document"), "properties"), "schedule");
    pw_value properties = pw_get_lit(ours, "properties");
    EXPECT(pw_is(pw_get_lit(ours, "additionalProperties"), PW_FALSE));
    EXPECT_INT(properties.count, 3);
    static const char *const chosen[] = { "overlap", "catchUp" };
    for (size_t i = 0; i < PW_LENGTH(chosen); i++) {
        pw_value values = pw_get_lit(pw_get_lit(properties, chosen[i]), "enum");
        EXPECT_INT(values.count, 3);
        for (unsigned j = 0; j < values.count; j++) {
            char text[100];
            (void)snprintf(text, sizeof text, "%s: %.*s", chosen[i],
                           PW_ARG(pw_text(pw_item(values, j))));
            load_schedule(&l, "every: PT1H", text);
            EXPECT_INT(l.findings.count, 0);
            const pw_schedule *schedule = &l.program->schedule.tasks[0]->as.schedule;
            EXPECT_INT(i == 0 ? (unsigned)schedule->overlap : (unsigned)schedule->catch_up,
                       j); /* the order of the enum */
            unload(&l);
        }
    }
    EXPECT_STR(pw_get_text(pw_get_lit(properties, "timeZone"), "default"), "UTC");
    load_schedule(&l, "cron: '0 0 * * *'", "timeZone: UTC");
    EXPECT_INT(l.findings.count, 0);
    unload(&l);
    pw_arena_done(&arena);
}

TEST_MAIN()
