/* sizes_test.c - the sizes that a workflow may have: at its limit it runs, above it is told so, and
 * what a step costs does not grow with them. Costs are bytes and counts, never times. */
#include <stdlib.h>
#include "fixture.h"
#include "core/step.h"

/* ------------------------------------------------------------------ many tasks */

#define ADD "set: { n: '${ .n + 1 }' }"

static void one_list(pw_buf *text, unsigned tasks)
{
    for (unsigned i = 0; i < tasks; i++)
        pw_buf_printf(text, "  - t%u: { " ADD " }\n", i);
}

static void blocks(pw_buf *text, unsigned tasks)
{
    for (unsigned i = 0; i < tasks; i++)
        if (i % 10 == 0)
            pw_buf_printf(text, "  - b%u:\n      do:\n", i);
        else
            pw_buf_printf(text, "        - t%u: { " ADD " }\n", i);
}

/* From one end to the other and back, until the middle is met: each task once. */
static void jumps(pw_buf *text, unsigned tasks)
{
    for (unsigned i = 0; i < tasks; i++) {
        unsigned next = i < tasks / 2 ? tasks - 1 - i : tasks - i;
        if (i == tasks / 2)
            pw_buf_printf(text, "  - t%u: { " ADD ", then: exit }\n", i);
        else
            pw_buf_printf(text, "  - t%u: { " ADD ", then: t%u }\n", i, next);
    }
}

/* Runs it to its end. *memory: bytes of the program for each task; *made: allocations. */
static void run_tasks(void (*shape)(pw_buf *, unsigned), unsigned tasks, unsigned steps,
                      const char *output, size_t *memory, uint64_t *made)
{
    fixture f;
    pw_buf text;
    pw_buf_init(&text, 0);
    shape(&text, tasks);
    char *document = pw_buf_take(&text);
    uint64_t before = pw_alloc_count();
    fixture_open(&f, document);
    *made = pw_alloc_count() - before;
    *memory = f.program->arena.used / tasks;
    pw_free(document);
    EXPECT_INT(f.program->task_count, tasks);
    fixture_start(&f, "{\"n\":0}");
    for (unsigned i = 1; i < steps; i++) {
        EXPECT_STATUS(f, "running");
        EXPECT(f.t.cut);
        EXPECT(f.t.state_text.len < 400);
        if (i == steps / 2)
            fixture_reload(&f);
        fixture_drive(&f);
    }
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, output);
    fixture_close(&f);
}

static void expect_linear(void (*shape)(pw_buf *, unsigned), const char *small, const char *large)
{
    size_t memory[2];
    uint64_t made[2];
    run_tasks(shape, 1000, 1, small, &memory[0], &made[0]);
    run_tasks(shape, 10000, 10, large, &memory[1], &made[1]);
    if (memory[1] * 10 > memory[0] * 12 || made[1] > 12 * made[0])
        fail_msg("%zu and %zu bytes a task, %llu and %llu allocations", memory[0], memory[1],
                 (unsigned long long)made[0], (unsigned long long)made[1]);
}

TEST(sizes, a_list_of_ten_thousand_tasks_runs_in_ten_steps)
{
    expect_linear(one_list, "{\"n\":1000}", "{\"n\":10000}");
}

TEST(sizes, a_thousand_lists_with_nine_tasks_each_run_in_ten_steps)
{
    expect_linear(blocks, "{\"n\":900}", "{\"n\":9000}");
}

TEST(sizes, ten_thousand_tasks_that_jump_run_in_ten_steps)
{
    expect_linear(jumps, "{\"n\":1000}", "{\"n\":10000}");
}

/* ------------------------------------------------------------------ deep nesting */

#define TOO_DEEP "tasks nest more than 40 levels deep; use 'use.functions'"

/* A `for` has two variables, of which 56 may be seen at once. */
static const struct {
    const char *before, *after;
    unsigned most; /* levels of lists */
    const char *above;
} nests[] = {
    { "{\"do\":[", "]}", PW_NESTING_MAX, TOO_DEEP },
    { "{\"for\":{\"each\":\"x\",\"in\":\"[1]\"},\"do\":[", "]}", 29,
      "more than 56 variables of 'for' and 'catch' within each other" },
    { "{\"fork\":{\"branches\":[", "]}}", PW_NESTING_MAX, TOO_DEEP },
    { "{\"try\":[", "],\"catch\":{}}", PW_NESTING_MAX, TOO_DEEP },
};

/* So many levels of lists, the outermost one counted; `kind` PW_LENGTH(nests): all in turn. */
static char *nested(unsigned levels, size_t kind)
{
    pw_buf text;
    pw_buf_init(&text, 0);
    pw_buf_text(&text,
                "document: {dsl: '1.0.3', namespace: test, name: deep, version: '1.0.0'}\ndo: [");
    for (unsigned i = 1; i < levels; i++)
        pw_buf_printf(&text, "{\"t%u\":%s", i,
                      nests[kind < PW_LENGTH(nests) ? kind : i % PW_LENGTH(nests)].before);
    pw_buf_text(&text, "{\"work\":{\"call\":\"work\"}},{\"done\":{\"set\":{\"n\":1}}}");
    for (unsigned i = levels; i-- > 1;)
        pw_buf_printf(&text, "%s}",
                      nests[kind < PW_LENGTH(nests) ? kind : i % PW_LENGTH(nests)].after);
    pw_buf_text(&text, "]\n");
    return pw_buf_take(&text);
}

TEST(sizes, tasks_nest_forty_deep_in_every_kind_of_scope_and_no_deeper)
{
    for (size_t kind = 0; kind <= PW_LENGTH(nests); kind++) {
        bool one = kind < PW_LENGTH(nests);
        unsigned most = one ? nests[kind].most : PW_NESTING_MAX;
        char *text = nested(most, kind);
        fixture f;
        fixture_open(&f, text);
        pw_free(text);
        fixture_start(&f, "null");
        EXPECT_INT(f.t.work_count, 1);
        EXPECT_STATUS(f, "waiting");
        fixture_reload(&f);
        fixture_result(&f, f.t.work[0].visit, 1, "{}");
        EXPECT_STATUS(f, "completed");
        fixture_close(&f);

        text = nested(most + 1, kind);
        pw_arena arena;
        pw_arena_init(&arena, 0);
        pw_findings findings = { .arena = &arena };
        pw_program *program = NULL;
        pawl_error err;
        EXPECT_INT(pw_lang_load(&program, pw_str_of(text), &findings, &err), PAWL_INVALID);
        EXPECT_TEXT(findings.items[0].message.ptr, one ? nests[kind].above : TOO_DEEP);
        pw_arena_done(&arena);
        pw_free(text);
    }
}

/* Each call opens two scopes, the call and the function's list. */
TEST(sizes, functions_call_each_other_thirty_eight_deep_and_no_deeper)
{
    static const char document[] =
        "document: { dsl: '1.0.3', namespace: test, name: deep, version: '1.0.0' }\n"
        "use:\n"
        "  functions:\n"
        "    down:\n"
        "      do:\n"
        "        - again: { if: .n < .to, call: down, with: { n: '${ .n + 1 }', to: '${ .to }' } "
        "}\n"
        "        - work: { if: .n == .to, call: work }\n"
        "do:\n"
        "  - begin: { call: down, with: { n: 1, to: '${ . }' } }\n";
    fixture f;
    fixture_open(&f, document);
    fixture_start(&f, "38");
    EXPECT_INT(f.t.work_count, 1);
    fixture_reload(&f);
    fixture_result(&f, f.t.work[0].visit, 1, "{\"n\":0}");
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
    fixture_open(&f, document);
    fixture_start(&f, "39");
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "title"),
                "functions call each other too deep");
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "detail"),
                "at most 120 scopes may be open inside each other");
    fixture_reload(&f);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ many items, many turns */

typedef struct step_cost {
    size_t arena, state, entries, payloads; /* bytes; count */
} step_cost;

/* One activity after the other, the arena kept small as the engine keeps it. */
typedef struct runner {
    fixture f;
    uint64_t visit;
} runner;

static step_cost go_on(runner *r)
{
    fixture *f = &r->f;
    const pw_event event = { .kind = PW_EVENT_ACTIVITY_RESULT,
                             .visit = r->visit,
                             .attempt = 1,
                             .now_ms = T0,
                             .payload = pw_null() };
    pawl_error err;
    size_t before = f->arena.used;
    f->identity.sequence = ++f->steps;
    EXPECT_OK(pw_core_step(&f->t, f->program, f->state, &f->identity, &event, &f->settings,
                           f->machine, &f->arena, &err),
              err);
    EXPECT(f->t.changed);
    step_cost cost = { f->arena.used - before, f->t.state_text.len, f->t.entries.len,
                       f->t.payload_count };
    f->state = f->t.state;
    f->apart = true;
    if (f->t.work_count)
        r->visit = f->t.work[0].visit;
    return cost;
}

static void compact(runner *r)
{
    pw_arena fresh;
    pw_arena_init(&fresh, 0);
    pw_state *copy;
    pawl_error err;
    EXPECT_OK(pw_state_copy(&copy, r->f.state, &fresh, &err), err);
    pw_arena_done(&r->f.arena);
    r->f.arena = fresh;
    r->f.state = copy;
}

static void begin(runner *r, const char *tasks, const char *input)
{
    fixture_open(&r->f, tasks);
    fixture_start(&r->f, input);
    EXPECT_INT(r->f.t.work_count, 1);
    r->visit = r->f.t.work[0].visit;
}

static void end(runner *r)
{
    memset(&r->f.payloads, 0, sizeof r->f.payloads);
    fixture_close(&r->f);
}

static unsigned sized(unsigned usual, unsigned long_)
{
    const char *wanted = getenv("PAWL_TEST_LONG");
    return wanted && strcmp(wanted, "1") == 0 ? long_ : usual;
}

/* Steps 10 and those near the end: what they take, write and put out. */
TEST(sizes, a_step_of_a_long_for_costs_the_same_at_its_first_item_and_at_its_last)
{
    const unsigned items = sized(20000, 100000);
    char input[64];
    (void)snprintf(input, sizeof input, "{\"count\":%u}", items);
    runner r;
    begin(
        &r,
        "  - each:\n"
        "      for: { each: item, in: '[range($input.count) | {id: ., name: \"item\"}]' }\n"
        "      do:\n"
        "        - work: { call: work, with: { id: '${ $item.id }' }, output: { as: '$input' } }\n",
        input);
    EXPECT_INT(r.f.t.payload_count, 1); /* the collection */
    step_cost early = { 0 }, late = { 0 };
    size_t most = 0, kept = 0;
    for (unsigned i = 1; i < items; i++) {
        step_cost cost = go_on(&r);
        EXPECT_INT(cost.payloads, 0);
        if (i == 10)
            early = cost;
        if (i == items - 10)
            late = cost;
        if (cost.state + cost.entries > most)
            most = cost.state + cost.entries;
        if (i % 1000 == 0) {
            compact(&r);
            if (i == 1000)
                kept = r.f.arena.used;
            else if (r.f.arena.used > kept + 64)
                fail_msg("%zu bytes at item %u, %zu at item 1000", r.f.arena.used, i, kept);
        }
    }
    char expected[32];
    (void)snprintf(expected, sizeof expected, "{\"id\":%u}", items - 1);
    EXPECT_STR(r.f.t.work[0].input, expected);
    (void)go_on(&r);
    EXPECT_STATUS(r.f, "completed");
    if (late.arena > early.arena + 200 || late.state > early.state + 20 ||
        late.entries > early.entries + 20 || most > 1000)
        fail_msg("first %zu %zu %zu, last %zu %zu %zu, most %zu", early.arena, early.state,
                 early.entries, late.arena, late.state, late.entries, most);
    end(&r);
}

/* The same, but for the digits of what is counted: visits, the place of the task's path. */
static void expect_same_state(const char *tasks)
{
    const unsigned turns = sized(30000, 99000);
    runner r;
    begin(&r, tasks, "{\"n\":100000}");
    step_cost early = { 0 }, cost = { 0 };
    size_t kept = 0, most = 0;
    for (unsigned i = 1; i <= turns; i++) {
        cost = go_on(&r);
        EXPECT_INT(cost.payloads, 0);
        most = cost.state > most ? cost.state : most;
        if (i == 10)
            early = cost;
        if (i % 1000 == 0) {
            compact(&r);
            kept = kept ? kept : r.f.arena.used;
            EXPECT_INT(r.f.arena.used, kept);
        }
    }
    EXPECT_STATUS(r.f, "waiting");
    EXPECT(most <= early.state + 20);
    EXPECT(cost.entries <= early.entries + 20);
    EXPECT(cost.arena <= early.arena + 64);
    end(&r);
}

TEST(sizes, a_loop_by_then_has_the_same_state_at_every_turn)
{
    expect_same_state("  - work: { call: work, output: { as: '{n: ($input.n + 1)}' } }\n"
                      "  - more: { switch: [ { again: { when: .n < 900000, then: work } } ] }\n");
}

TEST(sizes, a_loop_in_a_list_has_the_same_state_at_every_turn)
{
    expect_same_state(
        "  - scope:\n"
        "      do:\n"
        "        - work: { call: work, output: { as: '{n: ($input.n + 1)}' } }\n"
        "        - more: { switch: [ { again: { when: .n < 900000, then: work } } ] }\n");
}

TEST(sizes, a_hundred_thousand_items_without_a_boundary_are_a_hundred_steps)
{
    fixture f;
    fixture_open(&f, "  - each:\n"
                     "      for: { each: item, in: '[range(100000)]' }\n"
                     "      do: [ { add: { set: { n: '${ .n + $item }' } } } ]\n");
    fixture_start(&f, "{\"n\":0}");
    unsigned steps = 1;
    size_t first = 0;
    for (; f.t.cut; steps++) {
        EXPECT(f.t.state_text.len < 500);
        if (steps % 20 == 0)
            fixture_reload(&f);
        fixture_drive(&f);
        EXPECT_INT(f.t.payload_count, 0);
        first = first ? first : f.t.entries.len;
        EXPECT(f.t.entries.len < first + 10000); /* visits have more digits */
    }
    EXPECT_STATUS(f, "completed");
    EXPECT_INT(steps, 101);
    EXPECT_OUTPUT(f, "{\"n\":4999950000}");
    fixture_close(&f);
}

TEST(sizes, more_items_than_a_million_are_refused)
{
    fixture f;
    fixture_open(&f, "  - each:\n"
                     "      for: { each: item, in: '[range(1000001)]' }\n"
                     "      do: [ { add: { set: { n: 1 } } } ]\n");
    pw_expr_machine_free(f.machine);
    const pw_expr_limits limits = { .fuel = 100000000, .memory = 1u << 30 };
    f.machine = pw_expr_machine_new(&limits);
    fixture_start(&f, "null");
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "detail"),
                "for.in must give an array, not an array of more than 1000000 items");
    fixture_close(&f);
}

TEST_MAIN()
