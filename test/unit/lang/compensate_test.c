/* How tasks are undone and who is asked about their incidents: what it is compiled to, and that the
 * published schema says the same. What is refused stands in broken.cases. */
#include <stdlib.h>
#include "fixture.h"
#include "base/json.h"

#define UNDONE "compensation: { on: [] }"

/* With this below metadata.pawl of the document; without a finding. */
static void load_with(loaded *l, const char *ours, const char *body)
{
    char text[4096];
    (void)snprintf(text, sizeof text,
                   "document: { dsl: 1.0.3, namespace: a, name: b, version: 1.0.0, metadata: "
                   "{ pawl: { %s } } }\n%s",
                   ours, body);
    load_text(l, pw_str_of(text));
    if (l->code != PAWL_OK || l->findings.count > 0)
        fail_msg("%d: %s; first finding: %s", (int)l->code, l->err.message,
                 l->findings.count ? l->findings.items[0].message.ptr : "");
}

/* The `compensate` of a call. */
static const pw_undo *undo_of(loaded *l, const char *undo)
{
    char body[2048];
    (void)snprintf(body, sizeof body,
                   "use: { functions: { f: { set: { x: 1 } } } }\n"
                   "do: [ { c: { call: reserve, metadata: { pawl: { compensate: { %s } } } } } ]\n",
                   undo);
    load_with(l, UNDONE, body);
    const pw_task *task = task_at(l, "/do/0/c");
    EXPECT(task->undo != NULL && task->undo->task->undoes == task);
    return task->undo;
}

TEST(compensate, what_undoes_a_task_is_a_task_in_no_list)
{
    loaded l;
    const pw_undo *undo = undo_of(&l, "call: release");
    EXPECT(!undo->optional);
    EXPECT_INT(undo->when_unknown, PW_UNKNOWN_ASK);
    EXPECT_INT(undo->task->kind, PW_TASK_ACTIVITY);
    EXPECT_STR(undo->task->as.call.name, "release");
    EXPECT_STR(undo->task->name, "compensate");
    EXPECT_STR(undo->task->pointer, "/do/0/c/metadata/pawl/compensate");
    EXPECT_TEXT(json_of(&l, undo->task->definition), "{\"call\":\"release\"}");
    EXPECT_INT(undo->task->line, 3);
    EXPECT_INT(undo->task->column, 49);
    EXPECT(undo->task->undo == NULL && undo->task->condition == NULL);
    EXPECT(!undo->task->timeout.given && undo->task->resilience == NULL);
    EXPECT_INT(l.program->body.count, 1);
    EXPECT_INT(l.program->activity_count, 2);
    EXPECT_STR(l.program->activities[0], "reserve");
    EXPECT_STR(l.program->activities[1], "release");
    unload(&l);
}

TEST(compensate, whatever_reaches_outside_can_undo)
{
    static const struct {
        const char *undo;
        pw_task_kind kind;
    } rows[] = {
        { "call: http, with: { method: delete, endpoint: 'http://x.test/{id}' }", PW_TASK_HTTP },
        { "call: release, with: { id: '${ .id }' }", PW_TASK_ACTIVITY },
        { "call: f", PW_TASK_FUNCTION },
        { "call: userTask, with: { title: '${ $output.id }' }", PW_TASK_USER },
        { "emit: { event: { with: { type: released, data: '${ . }' } } }", PW_TASK_EMIT },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        loaded l;
        EXPECT_INT(undo_of(&l, rows[i].undo)->task->kind, rows[i].kind);
        unload(&l);
    }
}

TEST(compensate, what_is_said_about_carrying_it_out)
{
    loaded l;
    const pw_undo *undo =
        undo_of(&l, "call: release, if: '${ $output.held }', timeout: { after: PT1M }, metadata: { "
                    "pawl: { required: false, whenUnknown: skip, priority: 3, "
                    "resilience: { timeout: PT2S } } }");
    EXPECT(undo->optional && undo->task->condition != NULL);
    EXPECT_INT(undo->when_unknown, PW_UNKNOWN_SKIP);
    EXPECT_INT(undo->task->timeout.constant.ms, 60000);
    EXPECT_INT(undo->task->resilience->timeout.constant.ms, 2000);
    EXPECT_INT(undo->task->as.call.priority, 3);
    unload(&l);
    undo = undo_of(&l, "call: release, metadata: { pawl: { required: true, whenUnknown: run } }");
    EXPECT(!undo->optional);
    EXPECT_INT(undo->when_unknown, PW_UNKNOWN_RUN);
    unload(&l);
}

/* The number of a task is part of stored states. */
TEST(compensate, numbers_follow_what_stands_in_a_task)
{
    static const char *const pointers[] = {
        "/use/functions/f",
        "/use/functions/f/metadata/pawl/compensate",
        "/do/0/a",
        "/do/0/a/do/0/b",
        "/do/0/a/do/0/b/metadata/pawl/compensate",
        "/do/0/a/do/0/b/metadata/pawl/onFault",
        "/do/0/a/do/1/c",
        "/do/0/a/metadata/pawl/onFault",
        "/do/1/d",
        "/document/metadata/pawl/onFault",
        "/schedule",
        "/document/metadata/pawl/compensation",
    };
    loaded l;
    load_with(&l, UNDONE ", onFault: { call: userTask }",
              "schedule: { every: PT1H }\n"
              "use: { functions: { f: { call: x, metadata: { pawl: { compensate: { call: y } } } } "
              "} }\n"
              "do:\n"
              "  - a:\n"
              "      metadata: { pawl: { onFault: { call: userTask } } }\n"
              "      do:\n"
              "        - b:\n"
              "            emit: { event: { with: { type: t } } }\n"
              "            metadata: { pawl: { onFault: { call: userTask }, compensate: { call: f "
              "} } }\n"
              "        - c: { call: f }\n"
              "  - d: { set: { x: 1 } }\n");
    EXPECT_INT(l.program->task_count, PW_LENGTH(pointers));
    for (uint32_t i = 0; i < PW_LENGTH(pointers); i++) {
        EXPECT_STR(l.program->tasks[i]->pointer, pointers[i]);
        EXPECT_INT(l.program->tasks[i]->index, i);
    }
    EXPECT(l.program->tasks[4]->as.call.body == l.program->tasks[0]);
    EXPECT(l.program->tasks[6]->undo == NULL && l.program->tasks[0]->undo != NULL);
    unload(&l);
}

TEST(compensate, a_document_in_which_something_can_be_undone_has_a_compensation)
{
    static const struct {
        const char *ours, *task;
        bool has, on_fault, on_cancel;
    } rows[] = {
        { "", "set: { x: 1 }", false, false, false },
        { "", "run: { workflow: { namespace: a, name: b, version: 1.0.0 }, await: false }", false,
          false, false },
        { "", "run: { workflow: { namespace: a, name: b, version: 1.0.0 } }", true, false, false },
        { "compensation: {}", "call: a, metadata: { pawl: { compensate: { call: b } } }", true,
          false, false },
        { "compensation: { on: [ faulted ] }",
          "call: a, metadata: { pawl: { compensate: { call: b } } }", true, true, false },
        { "compensation: { on: [ cancelled ] }",
          "call: a, metadata: { pawl: { compensate: { call: b } } }", true, false, true },
        { "compensation: { on: [ cancelled, faulted ] }",
          "call: a, metadata: { pawl: { compensate: { call: b } } }", true, true, true },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        loaded l;
        char body[512];
        (void)snprintf(body, sizeof body, "do: [ { t: { %s } } ]\n", rows[i].task);
        load_with(&l, rows[i].ours, body);
        EXPECT_INT(l.program->compensation.count, rows[i].has);
        if (rows[i].has) {
            const pw_task *whole = l.program->compensation.tasks[0];
            EXPECT_INT(whole->kind, PW_TASK_COMPENSATE);
            EXPECT(whole == l.program->tasks[l.program->task_count - 1]);
            EXPECT_INT(whole->as.scope.len, 0);
        }
        EXPECT_INT(l.program->undo_on_fault, rows[i].on_fault);
        EXPECT_INT(l.program->undo_on_cancel, rows[i].on_cancel);
        unload(&l);
    }
}

TEST(compensate, a_scope_is_the_whole_or_a_task_by_name_or_pointer)
{
    static const struct {
        const char *call, *scope;
    } rows[] = {
        { "call: compensate", "" },
        { "call: compensate:1.0.0@default", "" },
        { "call: compensate, with: {}", "" },
        { "call: compensate, with: { scope: workflow }", "" },
        { "call: compensate, with: { scope: b/c }", "/do/1/a/do/0/b~1c" },
        { "call: compensate, with: { scope: /do/1/a }", "/do/1/a" },
        { "call: compensate, with: { scope: a }", "/do/1/a" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        loaded l;
        char body[512];
        (void)snprintf(body, sizeof body,
                       "do:\n"
                       "  - first: { %s, output: { as: .done } }\n"
                       "  - a: { do: [ { b/c: { call: x, metadata: { pawl: { compensate: { call: y "
                       "} } } } } ] }\n",
                       rows[i].call);
        load_with(&l, "", body);
        const pw_task *task = task_at(&l, "/do/0/first");
        EXPECT_INT(task->kind, PW_TASK_COMPENSATE);
        EXPECT_STR(task->as.scope, rows[i].scope);
        EXPECT(task->output_as != NULL);
        unload(&l);
    }
}

TEST(compensate, a_document_full_of_scopes_without_anything_to_undo)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, HEAD "do:\n  - a: { do: [");
    for (unsigned i = 0; i < 20000; i++)
        pw_buf_printf(&buf, "%s{n%u: {set: {x: 1}}}", i ? "," : "", i);
    pw_buf_text(&buf, "] }\n  - b: { call: x, metadata: { pawl: { compensate: { call: y } } } }\n");
    for (unsigned i = 0; i < 5000; i++)
        pw_buf_printf(&buf, "  - c%u: { call: compensate, with: { scope: a } }\n", i);
    loaded l;
    load_text(&l, pw_buf_view(&buf));
    EXPECT_INT(l.code, PAWL_OK);
    EXPECT_INT(l.findings.count,
               100); /* a full list: behind 4 million tasks no more are looked for */
    unload(&l);
    pw_buf_done(&buf);
}

/* ---- onFault */

TEST(on_fault, a_user_task_that_may_answer_all_that_there_is)
{
    static const struct {
        const char *actions;
        bool undone;
        unsigned expected;
    } rows[] = {
        { "{}", false, 7 },
        { "{}", true, 15 },
        { "{ actions: [ retry ] }", true, 1 },
        { "{ actions: [ skip ] }", true, 2 },
        { "{ actions: [ fail ] }", false, 4 },
        { "{ actions: [ compensate, retry ] }", true, 9 },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        loaded l;
        char body[512];
        (void)snprintf(body, sizeof body,
                       "do:\n"
                       "  - a: { call: x, metadata: { pawl: { onFault: { call: userTask, with: "
                       "{ title: '${ .error.title }' }, metadata: { pawl: %s } }%s } } }\n",
                       rows[i].actions, rows[i].undone ? ", compensate: { call: y }" : "");
        load_with(&l, rows[i].undone ? UNDONE : "", body);
        const pw_task *asked = task_at(&l, "/do/0/a")->on_fault;
        EXPECT(asked == task_at(&l, "/do/0/a/metadata/pawl/onFault"));
        EXPECT_INT(asked->kind, PW_TASK_USER);
        EXPECT(asked->as.user.with != NULL);
        EXPECT_INT(asked->as.user.actions, rows[i].expected);
        EXPECT(l.program->on_fault == NULL);
        unload(&l);
    }
}

TEST(on_fault, of_the_document)
{
    loaded l;
    load_with(&l, "onFault: { call: 'userTask:1.0.0@default' }",
              "do: [ { a: { call: userTask } } ]\n");
    EXPECT(l.program->on_fault == task_at(&l, "/document/metadata/pawl/onFault"));
    EXPECT_INT(l.program->on_fault->as.user.actions, 7);
    EXPECT_INT(task_at(&l, "/do/0/a")->as.user.actions, 0);
    EXPECT(task_at(&l, "/do/0/a")->on_fault == NULL);
    unload(&l);
}

/* ---- the published schema */

static pw_value definition(pw_arena *arena, const char *name)
{
    pw_value all;
    pawl_error err;
    EXPECT_OK(pw_json_parse(&all, pw_str_of(pw_lang_metadata_schema()), NULL, arena, &err), err);
    return pw_get(pw_get_lit(all, "$defs"), pw_str_of(name));
}

static pw_value ours_of(pw_value described)
{
    pw_value metadata = pw_get_lit(pw_get_lit(described, "properties"), "metadata");
    return pw_get_lit(pw_get_lit(metadata, "properties"), "pawl");
}

TEST(compensate, the_schema_says_what_is_read)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value described = definition(&arena, "compensate"), ours = ours_of(described);
    EXPECT(pw_is(pw_get_lit(described, "additionalProperties"), PW_FALSE));
    EXPECT_INT(pw_get_lit(described, "properties").count, 6);
    EXPECT(pw_is(pw_get_lit(ours, "additionalProperties"), PW_FALSE));
    EXPECT_INT(pw_get_lit(ours, "properties").count, 4);
    pw_value values = pw_get_lit(pw_get_lit(pw_get_lit(ours, "properties"), "whenUnknown"), "enum");
    EXPECT_INT(values.count, 3);
    for (uint32_t i = 0; i < values.count; i++) {
        loaded l;
        char text[200];
        (void)snprintf(text, sizeof text, "call: b, metadata: { pawl: { whenUnknown: %.*s } }",
                       PW_ARG(pw_text(pw_item(values, i))));
        EXPECT_INT(undo_of(&l, text)->when_unknown, i); /* the order of the enum */
        unload(&l);
    }
    pw_arena_done(&arena);
}

TEST(on_fault, the_schema_says_what_is_read)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value described = definition(&arena, "onFault"), ours = ours_of(described);
    EXPECT(pw_is(pw_get_lit(described, "additionalProperties"), PW_FALSE));
    EXPECT_INT(pw_get_lit(described, "properties").count, 3);
    EXPECT_INT(pw_get_lit(ours, "properties").count, 1);
    pw_value values = pw_get_lit(
        pw_get_lit(pw_get_lit(pw_get_lit(ours, "properties"), "actions"), "items"), "enum");
    EXPECT_INT(values.count, PW_REMEDY_COUNT);
    for (uint32_t i = 0; i < values.count; i++) {
        loaded l;
        char text[200];
        (void)snprintf(text, sizeof text,
                       UNDONE
                       ", onFault: { call: userTask, metadata: { pawl: { actions: [ %.*s ] } } }",
                       PW_ARG(pw_text(pw_item(values, i))));
        load_with(&l, text,
                  "do: [ { a: { call: x, metadata: { pawl: { compensate: { call: y } } } } } ]\n");
        EXPECT_INT(l.program->on_fault->as.user.actions, 1u << i);
        unload(&l);
    }
    pw_arena_done(&arena);
}

/* ---- the manual */

TEST(compensate, the_example_of_the_manual_is_what_it_says)
{
    size_t len;
    char *manual = pw_test_read(COMPENSATION, &len);
    char *from = strstr(manual, "```yaml\ndocument:");
    EXPECT(from != NULL);
    from += strlen("```yaml\n");
    char *end = strstr(from, "```");
    EXPECT(end != NULL);
    loaded l;
    load_text(&l, (pw_str){ from, (size_t)(end - from) });
    if (l.findings.count > 0)
        fail_msg("line %u of the example: %s", l.findings.items[0].line,
                 l.findings.items[0].message.ptr);
    EXPECT(!l.program->undo_on_fault && l.program->undo_on_cancel);
    EXPECT_INT(l.program->on_fault->as.user.actions, 15);
    EXPECT_INT(task_at(&l, "/do/0/reserve")->undo->task->kind, PW_TASK_FUNCTION);
    EXPECT_INT(task_at(&l, "/do/0/reserve")->undo->when_unknown, PW_UNKNOWN_RUN);
    EXPECT_INT(task_at(&l, "/do/1/pay/try/0/charge")->undo->task->kind, PW_TASK_ACTIVITY);
    EXPECT(!task_at(&l, "/do/1/pay/try/0/charge")->undo->optional);
    EXPECT_INT(task_at(&l, "/do/1/pay/try/1/tell")->undo->task->kind, PW_TASK_EMIT);
    EXPECT(task_at(&l, "/do/1/pay/try/1/tell")->undo->optional);
    EXPECT_STR(task_at(&l, "/do/1/pay/catch/do/0/back")->as.scope, "/do/1/pay");
    unload(&l);
    free(manual);
}

TEST_MAIN()
