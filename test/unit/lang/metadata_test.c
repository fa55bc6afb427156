/* The published schema of `metadata.pawl` says what the validator does: each of its properties is
 * known to it, each known key is one of its properties, and what is reserved is refused by name. */
#include "fixture.h"
#include "base/json.h"

static const char *const of_document[] = { "compensation" };
static const char *const of_task[] = { "compensate", "resilience" };
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

/* What is reserved, and how many properties there are. */
static void check(const char *part, bool document, const char *const *names, size_t count,
                  size_t known)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    loaded l;
    pw_value described = schema(&arena, part), properties = pw_get_lit(described, "properties");
    EXPECT(pw_is(pw_get_lit(described, "additionalProperties"), PW_FALSE));
    EXPECT_INT(properties.count, count + known);
    for (size_t i = 0; i < count; i++) {
        pw_value property = pw_get(properties, pw_str_of(names[i]));
        EXPECT(pw_is(pw_get_lit(property, "not"), PW_OBJECT)); /* nothing is valid */
        load_key(&l, document, names[i]);
        EXPECT_INT(l.findings.count, 1);
        EXPECT_INT(l.findings.items[0].kind, PAWL_FINDING_NOT_SUPPORTED);
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
    check("document", true, of_document, PW_LENGTH(of_document), 1);
}

TEST(metadata, the_schema_says_what_is_known_on_a_task)
{
    check("task", false, of_task, PW_LENGTH(of_task), 1);
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
