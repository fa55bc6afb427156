/* plan_bench.h - one instance and the plan of its compensation: the rows are kept here as a store
 * keeps them, and the state is written and parsed again after each step. */
#ifndef PW_TEST_CORE_PLAN_BENCH_H
#define PW_TEST_CORE_PLAN_BENCH_H

#include "fixture.h"

#define HEAD "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0'"
#define ON(what) HEAD ", metadata: { pawl: { compensation: { on: [" what "] } } } }\n"
#define UNDO(name)                                                                                 \
    "metadata: { pawl: { compensate: { call: " name ", with: { of: '${ .id }' } } } }"
#define DOES(name) "{ call: do-" name ", " UNDO("un-" name) " }"

enum { ROWS_MAX = 200 };

/* One instance, and its plan as the store has it. */
typedef struct bench {
    fixture f;
    pw_undo_step rows[ROWS_MAX];
    size_t count;
    size_t plans; /* PLANs so far */
} bench;

static inline pw_undo_step *row_of(bench *b, uint64_t ordinal)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->rows[i].ordinal == ordinal)
            return &b->rows[i];
    return NULL;
}

static inline void put_row(bench *b, const pw_undo_step *row)
{
    for (size_t i = 0; i < b->count; i++)
        if (pw_str_eq(b->rows[i].key, row->key)) {
            memmove(&b->rows[i], &b->rows[i + 1], (--b->count - i) * sizeof *row);
            break;
        }
    EXPECT(b->count < ROWS_MAX);
    EXPECT(row->key.len > 0 && row->task.len > 0);
    b->rows[b->count++] = *row;
}

/* What the last step left, as after a commit and a restart. */
static inline void keep(bench *b)
{
    const pw_transition *t = &b->f.t;
    if (!t->changed)
        return;
    for (size_t i = 0; i < t->undo_count; i++)
        put_row(b, &t->undo[i]);
    for (size_t i = 0; i < t->undo_change_count; i++) {
        pw_undo_step *row = row_of(b, t->undo_changes[i].ordinal);
        EXPECT(row != NULL);
        row->state = t->undo_changes[i].state;
        if (t->undo_changes[i].error.len)
            row->error = t->undo_changes[i].error;
    }
    fixture_reload(&b->f);
}

static inline void start(bench *b, const char *tasks)
{
    memset(b, 0, sizeof *b);
    fixture_open(&b->f, tasks);
    fixture_start(&b->f, "{\"k\":1}");
    keep(b);
}

/* Rows as they are asked for, in one PLAN; false: none are asked for. */
static inline bool plan(bench *b)
{
    pw_plan_wanted wanted;
    pw_undo_step found[ROWS_MAX];
    size_t count = 0, at = b->count;
    if (!pw_state_plan_wanted(&wanted, b->f.state))
        return false;
    EXPECT(wanted.most > 0);
    pw_event event = { .kind = PW_EVENT_PLAN,
                       .now_ms = b->f.now_ms,
                       .seed = 7,
                       .visit = wanted.visit,
                       .number = wanted.below,
                       .plan = found,
                       .plan_ends = true };
    for (; at > 0; at--) {
        const pw_undo_step *row = &b->rows[at - 1];
        bool inside =
            wanted.scope.len == 0 || pw_str_eq(row->task, wanted.scope) ||
            (pw_str_starts(row->task, wanted.scope) && row->task.ptr[wanted.scope.len] == '/');
        if (row->ordinal >= wanted.below || row->state > PW_UNDO_RUNNING || !inside)
            continue;
        if (count == wanted.most) {
            event.plan_ends = false;
            break;
        }
        found[count++] = *row;
    }
    event.plan_count = count;
    b->plans++;
    fixture_event(&b->f, &event);
    EXPECT(b->f.t.changed);
    keep(b);
    return true;
}

static inline void plans(bench *b)
{
    for (int i = 0; i < 100 && plan(b); i++)
        ;
}

static inline void result(bench *b, uint64_t visit, const char *json)
{
    fixture_result(&b->f, visit, 1, json);
    keep(b);
}

static inline void failed(bench *b, uint64_t visit)
{
    fixture_failed(&b->f, visit, 1, "{\"status\":400,\"title\":\"no\"}");
    keep(b);
}

static inline void command(bench *b, pw_event_kind kind)
{
    fixture_command(&b->f, kind, "ann", "because");
    keep(b);
}

static inline void compensate(bench *b)
{
    command(b, PW_EVENT_COMPENSATE);
    plans(b);
}

/* "1 /do/0/a registered {\"of\":1}; ..." */
static inline const char *rows(bench *b)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (size_t i = 0; i < b->count; i++) {
        const pw_undo_step *row = &b->rows[i];
        pw_buf_printf(&buf,
                      "%s%llu " PW_FMT " %s"
                      "%s" PW_FMT,
                      i ? "; " : "", (unsigned long long)row->ordinal, PW_ARG(row->task),
                      pw_undo_state_name(row->state), row->arguments.len ? " " : "",
                      PW_ARG(row->arguments));
    }
    const char *text = pw_arena_str(&b->f.arena, pw_buf_view(&buf)).ptr;
    pw_buf_done(&buf);
    return text ? text : "";
}

/* The work that the last step asks for: "un-a 5 {\"of\":1}; ..." */
static inline const char *work(bench *b)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (size_t i = 0; i < b->f.t.work_count; i++) {
        const pw_work *w = &b->f.t.work[i];
        pw_buf_printf(&buf, "%s%s" PW_FMT " %llu " PW_FMT, i ? "; " : "", w->cancel ? "not " : "",
                      PW_ARG(w->function), (unsigned long long)w->visit, PW_ARG(w->input));
    }
    const char *text = pw_arena_str(&b->f.arena, pw_buf_view(&buf)).ptr;
    pw_buf_done(&buf);
    return text ? text : "";
}

static inline void stop(bench *b)
{
    fixture_close(&b->f);
}
#endif
