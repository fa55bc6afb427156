/* actions_test.c - what people do about an incident: every action on every kind of task that can fail or wait, and on every
 * status. What comes of each is written out as by fixture_outcome(). */
#include "fixture.h"

#define HEAD "document: { dsl: '1.0.3', namespace: test, name: flow, version: '1.0.0' }\n"
#define NEXT "  - n: { call: work, with: { got: '${ . }', c: '${ $context }' } }\n"

static pw_value json(fixture *f, const char *text)
{
    pw_value v = { 0 };
    pawl_error err;
    if (text)
        EXPECT_OK(pw_json_parse(&v, pw_str_of(text), NULL, &f->arena, &err), err);
    return v;
}

/* ------------------------------------------------------------------ what is done */

typedef struct action {
    const char *name;
    pw_event_kind kind;
    const char *payload; /* JSON; NULL: none */
    const char *task;
    bool confirmed;
} action;

#define EDIT_CONTEXT "[{\"op\":\"replace\",\"path\":\"/context\",\"value\":{\"c\":1}}]"
#define EDIT_INPUT "[{\"op\":\"replace\",\"path\":\"/input\",\"value\":{\"k\":{\"x\":8}}}]"

static const action actions[] = {
    { "retry", PW_EVENT_RETRY, NULL, NULL, false },
    { "retry with input", PW_EVENT_RETRY, "{\"k\":{\"x\":7}}", NULL, false },
    { "skip", PW_EVENT_SKIP, NULL, NULL, false },
    { "skip with output", PW_EVENT_SKIP, "{\"out\":1}", NULL, false },
    { "goto the next", PW_EVENT_GOTO, NULL, "/do/1/n", false },
    { "goto itself", PW_EVENT_GOTO, "{\"k\":{\"x\":9}}", "/do/0/x", false },
    { "goto nowhere", PW_EVENT_GOTO, NULL, "/do/7/z", false },
    { "edit context", PW_EVENT_EDIT, EDIT_CONTEXT, NULL, false },
    { "edit input", PW_EVENT_EDIT, EDIT_INPUT, NULL, false },
    { "fail", PW_EVENT_FAIL, NULL, NULL, false },
    { "cancel", PW_EVENT_CANCEL, NULL, NULL, false },
    { "suspend", PW_EVENT_SUSPEND, NULL, NULL, false },
    { "continue", PW_EVENT_CONTINUE, NULL, NULL, false },
    { "compensate", PW_EVENT_COMPENSATE, NULL, NULL, false },
    { "retry, confirmed", PW_EVENT_RETRY, NULL, NULL, true },
    { "retry with input, confirmed", PW_EVENT_RETRY, "{\"k\":{\"x\":7}}", NULL, true },
    { "skip, confirmed", PW_EVENT_SKIP, NULL, NULL, true },
    { "goto the next, confirmed", PW_EVENT_GOTO, NULL, "/do/1/n", true },
};

static void act(fixture *f, const action *a)
{
    pw_event event = { .kind = a->kind, .now_ms = f->now_ms, .seed = 7, .confirmed = a->confirmed };
    event.actor = PW_LIT("ann");
    event.reason = PW_LIT("because");
    event.payload = json(f, a->payload);
    event.task = pw_str_of(a->task);
    fixture_event(f, &event);
    if (f->t.changed)
        fixture_reload(f);
}

static const action *action_of(const char *name)
{
    for (size_t i = 0; i < PW_LENGTH(actions); i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    fail_msg("no action '%s'", name);
}

/* ------------------------------------------------------------------ to where it is done */

static void nothing(fixture *f)
{
    (void)f;
}

static void minute(fixture *f)
{
    fixture_timer(f, T0 + 60000);
}

static void refused(fixture *f)
{
    fixture_answer(f, 1, 503, "text/plain", "no");
}

static void work_failed(fixture *f)
{
    fixture_failed(f, 1, 1, "{\"status\":418}");
}

typedef struct situation {
    const char *name, *tasks;
    void (*until)(fixture *f); /* from its start to where the action comes */
    int64_t start_at;          /* 0: at once */
} situation;

static void reach(fixture *f, const situation *at)
{
    fixture_open(f, at->tasks);
    pw_event event = { .kind = PW_EVENT_START, .now_ms = T0, .seed = 7, .start_at_ms = at->start_at };
    event.payload = json(f, "{\"k\":1}");
    fixture_event(f, &event);
    fixture_reload(f);
    at->until(f);
    if (f->t.changed)
        fixture_reload(f);
}

typedef struct row {
    const char *situation, *action, *outcome; /* no situation: each of them */
} row;

static void check_one(const situation *at, const row *r)
{
    fixture f;
    reach(&f, at);
    const char *before = fixture_text(&f, pw_json_text(&f.arena, pw_state_view(f.state, f.program, &f.arena), 0));
    act(&f, action_of(r->action));
    const char *text = fixture_outcome(&f);
    if (strcmp(text, r->outcome) != 0)
        fail_msg("%s, %s:\n#   %s\n# not\n#   %s", at->name, r->action, text, r->outcome);
    const char *after = fixture_text(&f, pw_json_text(&f.arena, pw_state_view(f.state, f.program, &f.arena), 0));
    if (!f.t.changed && strcmp(before, after) != 0)
        fail_msg("%s, %s: refused, and changed", at->name, r->action);
    fixture_close(&f);
}

static void check(const situation *all, size_t count, const row *rows, size_t row_count)
{
    size_t checked = 0;
    for (size_t i = 0; i < row_count; i++)
        for (size_t s = 0; s < count; s++)
            if (!rows[i].situation || strcmp(rows[i].situation, all[s].name) == 0) {
                check_one(&all[s], &rows[i]);
                checked++;
            }
    EXPECT(checked >= row_count);
}

/* ------------------------------------------------------------------ every kind of task that has failed */

#define LATE "timeout: { after: PT1M }"

static const situation faulted[] = {
    { "do", "  - x: { do: [ { in: { call: work } } ], " LATE " }\n" NEXT, minute },
    { "set", "  - x: { set: '${ .k.x }' }\n" NEXT, nothing },
    { "switch", "  - x: { switch: [ { c: { when: '${ .k.x == 7 }', then: end } } ] }\n" NEXT, nothing },
    { "for", "  - x: { for: { in: '${ .k }' }, do: [ { in: { call: work } } ] }\n" NEXT, nothing },
    { "fork", "  - x: { fork: { branches: [ { a: { call: work } }, { b: { wait: PT1H } } ] }, " LATE " }\n" NEXT, minute },
    { "try", "  - x: { try: [ { in: { call: work } } ], catch: { errors: { with: { status: 1 } } }, " LATE " }\n" NEXT, minute },
    { "raise", "  - x: { raise: { error: { type: 'https://x.test/e', status: 418 } } }\n" NEXT, nothing },
    { "wait", "  - x: { wait: PT1H, " LATE " }\n" NEXT, minute },
    { "emit", "  - x: { emit: { event: { with: { source: 'http://x.test/', type: '${ .k.x | tostring }' } } } }\n" NEXT, nothing },
    { "http", "  - x: { call: http, with: { method: get, endpoint: 'http://x.test/' } }\n" NEXT, refused },
    { "user", "  - x: { call: userTask, " LATE " }\n" NEXT, minute },
    { "function", HEAD "use: { functions: { f: { call: work } } }\ndo:\n  - x: { call: f, with: { k: '${ .k.x }' } }\n" NEXT, nothing },
    { "activity", "  - x: { call: work }\n" NEXT, work_failed },
    { "listen", "  - x: { listen: { to: { one: { with: { type: t } } } }, " LATE " }\n" NEXT, minute },
    { "run", "  - x: { run: { workflow: { namespace: test, name: other, version: '1.0.0' } }, " LATE " }\n" NEXT, minute },
};

/* As it goes with each kind. */
static const row on_faulted[] = {
    /* clang-format off */
    { "do", "retry", "waiting: instance.retried x, task.started x, task.started in | activity in" },
    { "do", "retry with input", "waiting: instance.retried x, task.started x, task.started in | activity in" },
    { "do", "goto itself", "waiting: instance.moved x to x, task.started x, task.started in | activity in" },
    { "set", "retry", "faulted: instance.retried x, task.faulted x, instance.faulted | incident x" },
    { "set", "retry with input", "waiting: instance.retried x, task.completed x, task.started n | activity n {\"got\":7,\"c\":null}" },
    { "set", "goto itself", "waiting: instance.moved x to x, task.completed x, task.started n | activity n {\"got\":9,\"c\":null}" },
    { "switch", "retry", "faulted: instance.retried x, task.faulted x, instance.faulted | incident x" },
    { "switch", "retry with input", "completed: instance.retried x, task.completed x, instance.completed -> {\"k\":{\"x\":7}}" },
    { "switch", "goto itself", "waiting: instance.moved x to x, task.completed x, task.started n | activity n {\"got\":{\"k\":{\"x\":9}},\"c\":null}" },
    { "for", "retry", "faulted: instance.retried x, task.faulted x, instance.faulted | incident x" },
    { "for", "retry with input", "faulted: instance.retried x, task.faulted x, instance.faulted | incident x" },
    { "for", "goto itself", "faulted: instance.moved x to x, task.faulted x, instance.faulted | incident x" },
    { "fork", "retry", "waiting: instance.retried x, task.started x, task.started a, task.started b | activity a, timer b" },
    { "fork", "retry with input", "waiting: instance.retried x, task.started x, task.started a, task.started b | activity a, timer b" },
    { "fork", "goto itself", "waiting: instance.moved x to x, task.started x, task.started a, task.started b | activity a, timer b" },
    { "try", "retry", "waiting: instance.retried x, task.started x, task.started in | activity in" },
    { "try", "retry with input", "waiting: instance.retried x, task.started x, task.started in | activity in" },
    { "try", "goto itself", "waiting: instance.moved x to x, task.started x, task.started in | activity in" },
    { "raise", "retry", "faulted: instance.retried x, task.faulted x, instance.faulted | incident x" },
    { "raise", "retry with input", "faulted: instance.retried x, task.faulted x, instance.faulted | incident x" },
    { "raise", "goto itself", "faulted: instance.moved x to x, task.faulted x, instance.faulted | incident x" },
    { "wait", "retry", "waiting: instance.retried x, task.started x | timer x" },
    { "wait", "retry with input", "waiting: instance.retried x, task.started x | timer x" },
    { "wait", "goto itself", "waiting: instance.moved x to x, task.started x | timer x" },
    { "emit", "retry", "faulted: instance.retried x, task.faulted x, instance.faulted | incident x" },
    { "emit", "retry with input", "waiting: instance.retried x, event.emitted x, task.completed x, task.started n | activity n {\"got\":{\"specversion\":\"1.0\",\"id\":\"i1-2-2\",\"source\":\"http://x.test/\",\"time\":\"2026-09-21T14:13:20.000Z\",\"type\":\"7\"},\"c\":null}" },
    { "emit", "goto itself", "waiting: instance.moved x to x, event.emitted x, task.completed x, task.started n | activity n {\"got\":{\"specversion\":\"1.0\",\"id\":\"i1-2-2\",\"source\":\"http://x.test/\",\"time\":\"2026-09-21T14:13:20.000Z\",\"type\":\"9\"},\"c\":null}" },
    { "http", "retry", "waiting: instance.retried x, task.started x | call x" },
    { "http", "retry with input", "waiting: instance.retried x, task.started x | call x" },
    { "http", "goto itself", "waiting: instance.moved x to x, task.started x | call x" },
    { "user", "retry", "waiting: instance.retried x, task.started x | user-action x" },
    { "user", "retry with input", "waiting: instance.retried x, task.started x | user-action x" },
    { "user", "goto itself", "waiting: instance.moved x to x, task.started x | user-action x" },
    { "function", "retry", "faulted: instance.retried x, task.faulted x, instance.faulted | incident x" },
    { "function", "retry with input", "waiting: instance.retried x, task.started x, task.started f | activity f" },
    { "function", "goto itself", "waiting: instance.moved x to x, task.started x, task.started f | activity f" },
    { "activity", "retry", "waiting: instance.retried x, task.started x | activity x" },
    { "activity", "retry with input", "waiting: instance.retried x, task.started x | activity x" },
    { "activity", "goto itself", "waiting: instance.moved x to x, task.started x | activity x" },
    { "listen", "retry", "waiting: instance.retried x, task.started x | external-message x" },
    { "listen", "retry with input", "waiting: instance.retried x, task.started x | external-message x" },
    { "listen", "goto itself", "waiting: instance.moved x to x, task.started x | external-message x" },
    { "run", "retry", "waiting: instance.retried x, task.started x | child x" },
    { "run", "retry with input", "waiting: instance.retried x, task.started x | child x" },
    { "run", "goto itself", "waiting: instance.moved x to x, task.started x | child x" },
    /* clang-format on */
};

TEST(actions, that_begin_again_do_what_the_kind_of_task_does)
{
    check(faulted, PW_LENGTH(faulted), on_faulted, PW_LENGTH(on_faulted));
}

/* Whatever has failed. */
static const row on_any_fault[] = {
    { NULL, "skip", "waiting: instance.skipped x, task.skipped x, task.started n | activity n {\"got\":{\"k\":1},\"c\":null}" },
    { NULL, "skip with output", "waiting: instance.skipped x, task.skipped x, task.started n | activity n {\"got\":{\"out\":1},\"c\":null}" },
    { NULL, "goto the next", "waiting: instance.moved x to n, task.started n | activity n {\"got\":{\"k\":1},\"c\":null}" },
    { NULL, "goto nowhere", "invalid/: '/do/7/z' cannot be gone to from here; these can: /do/0/x, /do/1/n" },
    { NULL, "edit context", "faulted: instance.edited | incident x" },
    { NULL, "edit input", "faulted: instance.edited | incident x" },
    { NULL, "fail", "faulted: instance.failed x" },
    { NULL, "cancel", "cancelled: instance.cancelled" },
    { NULL, "suspend", "state/instance-ended: the instance has faulted" },
    { NULL, "continue", "state/instance-ended: the instance has faulted" },
};

TEST(actions, that_do_the_same_on_every_kind_of_task_that_has_failed)
{
    check(faulted, PW_LENGTH(faulted), on_any_fault, PW_LENGTH(on_any_fault));
}

/* ------------------------------------------------------------------ every kind of task that waits */

static void fails_once(fixture *f)
{
    fixture_retries(f, 1);
    work_failed(f);
}

static void refused_once(fixture *f)
{
    fixture_retries(f, 1);
    refused(f);
}

static void inner_failed(fixture *f)
{
    fixture_failed(f, 2, 1, "{\"status\":418}");
}

static const situation waiting[] = {
    { "wait", "  - x: { wait: PT1H }\n" NEXT, nothing, 0 },
    { "http", "  - x: { call: http, with: { method: get, endpoint: 'http://x.test/' } }\n" NEXT, nothing, 0 },
    { "http again", "  - x: { call: http, with: { method: get, endpoint: 'http://x.test/' } }\n" NEXT, refused_once, 0 },
    { "user", "  - x: { call: userTask }\n" NEXT, nothing, 0 },
    { "activity", "  - x: { call: work }\n" NEXT, nothing, 0 },
    { "activity again", "  - x: { call: work }\n" NEXT, fails_once, 0 },
    { "listen", "  - x: { listen: { to: { one: { with: { type: t } } } } }\n" NEXT, nothing, 0 },
    { "run", "  - x: { run: { workflow: { namespace: test, name: other, version: '1.0.0' } } }\n" NEXT, nothing, 0 },
    { "try", "  - x: { try: [ { in: { call: work } } ], catch: { retry: { delay: PT1M, limit: { attempt: { count: 1 } } } } }\n" NEXT,
      inner_failed, 0 },
};

static const row on_waiting[] = {
    /* clang-format off */
    { NULL, "skip", "state/no-incident: no incident is open" },
    { NULL, "skip with output", "state/no-incident: no incident is open" },
    { NULL, "goto the next", "state/no-incident: no incident is open" },
    { NULL, "goto itself", "state/no-incident: no incident is open" },
    { NULL, "goto nowhere", "state/no-incident: no incident is open" },
    { NULL, "edit input", "invalid/answer-not-valid: operation 0 of the patch: replace '/input': the whole has no member 'input'" },
    { NULL, "fail", "state/no-incident: no incident is open" },
    { NULL, "cancel", "cancelled: instance.cancelled, task.cancelled x" },
    { NULL, "continue", "same: it is not suspended" },
    { "wait", "retry", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "http", "retry", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "http again", "retry", "waiting: instance.retried, attempt.started x | call x" },
    { "user", "retry", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "activity", "retry", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "activity again", "retry", "waiting: instance.retried, attempt.started x | activity x" },
    { "listen", "retry", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "run", "retry", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "try", "retry", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "wait", "retry with input", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "http", "retry with input", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "http again", "retry with input", "state/no-incident: no incident is open: the input of a task that is being tried cannot be changed" },
    { "user", "retry with input", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "activity", "retry with input", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "activity again", "retry with input", "state/no-incident: no incident is open: the input of a task that is being tried cannot be changed" },
    { "listen", "retry with input", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "run", "retry with input", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "try", "retry with input", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "wait", "edit context", "waiting: instance.edited | timer x" },
    { "http", "edit context", "waiting: instance.edited | call x" },
    { "http again", "edit context", "waiting: instance.edited | call x" },
    { "user", "edit context", "waiting: instance.edited | user-action x" },
    { "activity", "edit context", "waiting: instance.edited | activity x" },
    { "activity again", "edit context", "waiting: instance.edited | activity x" },
    { "listen", "edit context", "waiting: instance.edited | external-message x" },
    { "run", "edit context", "waiting: instance.edited | child x" },
    { "try", "edit context", "waiting: instance.edited | retry x" },
    { "wait", "suspend", "suspended: instance.suspended | continue, timer x" },
    { "http", "suspend", "suspended: instance.suspended | continue, call x" },
    { "http again", "suspend", "suspended: instance.suspended | continue, call x" },
    { "user", "suspend", "suspended: instance.suspended | continue, user-action x" },
    { "activity", "suspend", "suspended: instance.suspended | continue, activity x" },
    { "activity again", "suspend", "suspended: instance.suspended | continue, activity x" },
    { "listen", "suspend", "suspended: instance.suspended | continue, external-message x" },
    { "run", "suspend", "suspended: instance.suspended | continue, child x" },
    { "try", "suspend", "suspended: instance.suspended | continue, retry x" },
    /* clang-format on */
};

TEST(actions, on_every_kind_of_task_that_waits)
{
    check(waiting, PW_LENGTH(waiting), on_waiting, PW_LENGTH(on_waiting));
}

/* ------------------------------------------------------------------ every status */

static void cut(fixture *f)
{
    f->settings.tasks_per_step = 1;
    fixture_result(f, 1, 1, "1");
    f->settings.tasks_per_step = 0;
    EXPECT_STATUS(*f, "running");
}

static void suspended(fixture *f)
{
    fixture_command(f, PW_EVENT_SUSPEND, "bob", "a break");
}

static void critical(fixture *f)
{
    f->faults.suspend_after = 1;
    work_failed(f);
    EXPECT_STATUS(*f, "suspended");
}

static void given_up(fixture *f)
{
    work_failed(f);
    fixture_reload(f);
    fixture_command(f, PW_EVENT_FAIL, "bob", "");
}

static void cancelled(fixture *f)
{
    fixture_command(f, PW_EVENT_CANCEL, "bob", "");
}

static void completed(fixture *f)
{
    fixture_result(f, 1, 1, "1");
    fixture_reload(f);
    fixture_result(f, 2, 1, "2");
    EXPECT_STATUS(*f, "completed");
}

#define ONE "  - x: { call: work }\n" NEXT

static const situation statuses[] = {
    { "pending", ONE, nothing, T0 + 60000 },
    { "running", "  - x: { call: work }\n  - s: { set: '${ . }' }\n" NEXT, cut, 0 },
    { "waiting", ONE, nothing, 0 },
    { "suspended", ONE, suspended, 0 },
    { "suspended for an incident", ONE, critical, 0 },
    { "faulted", ONE, work_failed, 0 },
    { "given up", ONE, given_up, 0 },
    { "cancelled", ONE, cancelled, 0 },
    { "completed", ONE, completed, 0 },
};

static const row on_statuses[] = {
    /* clang-format off */
    { "pending", "retry", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "pending", "retry with input", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "pending", "skip", "state/no-incident: no incident is open" },
    { "pending", "skip with output", "state/no-incident: no incident is open" },
    { "pending", "goto the next", "state/no-incident: no incident is open" },
    { "pending", "goto itself", "state/no-incident: no incident is open" },
    { "pending", "goto nowhere", "state/no-incident: no incident is open" },
    { "pending", "edit context", "pending: instance.edited | start" },
    { "pending", "edit input", "invalid/answer-not-valid: operation 0 of the patch: replace '/input': the whole has no member 'input'" },
    { "pending", "fail", "state/no-incident: no incident is open" },
    { "pending", "cancel", "cancelled: instance.cancelled" },
    { "pending", "suspend", "suspended: instance.suspended | continue, start" },
    { "pending", "continue", "same: it is not suspended" },
    { "running", "retry", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "running", "retry with input", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "running", "skip", "state/no-incident: no incident is open" },
    { "running", "skip with output", "state/no-incident: no incident is open" },
    { "running", "goto the next", "state/no-incident: no incident is open" },
    { "running", "goto itself", "state/no-incident: no incident is open" },
    { "running", "goto nowhere", "state/no-incident: no incident is open" },
    { "running", "edit context", "waiting: instance.edited, task.started n | activity n {\"got\":1,\"c\":{\"c\":1}}" },
    { "running", "edit input", "invalid/answer-not-valid: operation 0 of the patch: replace '/input': the whole has no member 'input'" },
    { "running", "fail", "state/no-incident: no incident is open" },
    { "running", "cancel", "cancelled: instance.cancelled, task.cancelled n" },
    { "running", "suspend", "suspended: instance.suspended | continue, ready n" },
    { "running", "continue", "same: it is not suspended" },
    { "waiting", "retry", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "waiting", "retry with input", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "waiting", "skip", "state/no-incident: no incident is open" },
    { "waiting", "skip with output", "state/no-incident: no incident is open" },
    { "waiting", "goto the next", "state/no-incident: no incident is open" },
    { "waiting", "goto itself", "state/no-incident: no incident is open" },
    { "waiting", "goto nowhere", "state/no-incident: no incident is open" },
    { "waiting", "edit context", "waiting: instance.edited | activity x" },
    { "waiting", "edit input", "invalid/answer-not-valid: operation 0 of the patch: replace '/input': the whole has no member 'input'" },
    { "waiting", "fail", "state/no-incident: no incident is open" },
    { "waiting", "cancel", "cancelled: instance.cancelled, task.cancelled x" },
    { "waiting", "suspend", "suspended: instance.suspended | continue, activity x" },
    { "waiting", "continue", "same: it is not suspended" },
    { "suspended", "retry", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "suspended", "retry with input", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "suspended", "skip", "state/no-incident: no incident is open" },
    { "suspended", "skip with output", "state/no-incident: no incident is open" },
    { "suspended", "goto the next", "state/no-incident: no incident is open" },
    { "suspended", "goto itself", "state/no-incident: no incident is open" },
    { "suspended", "goto nowhere", "state/no-incident: no incident is open" },
    { "suspended", "edit context", "suspended: instance.edited | continue, activity x" },
    { "suspended", "edit input", "invalid/answer-not-valid: operation 0 of the patch: replace '/input': the whole has no member 'input'" },
    { "suspended", "fail", "state/no-incident: no incident is open" },
    { "suspended", "cancel", "cancelled: instance.cancelled, task.cancelled x" },
    { "suspended", "suspend", "same: it was suspended before" },
    { "suspended", "continue", "waiting: instance.resumed | activity x" },
    { "suspended for an incident", "retry", "waiting: instance.retried x, task.started x | activity x" },
    { "suspended for an incident", "retry with input", "waiting: instance.retried x, task.started x | activity x" },
    { "suspended for an incident", "skip", "waiting: instance.skipped x, task.skipped x, task.started n | activity n {\"got\":{\"k\":1},\"c\":null}" },
    { "suspended for an incident", "skip with output", "waiting: instance.skipped x, task.skipped x, task.started n | activity n {\"got\":{\"out\":1},\"c\":null}" },
    { "suspended for an incident", "goto the next", "waiting: instance.moved x to n, task.started n | activity n {\"got\":{\"k\":1},\"c\":null}" },
    { "suspended for an incident", "goto itself", "waiting: instance.moved x to x, task.started x | activity x" },
    { "suspended for an incident", "goto nowhere", "invalid/: '/do/7/z' cannot be gone to from here; these can: /do/0/x, /do/1/n" },
    { "suspended for an incident", "edit context", "suspended: instance.edited | continue, incident x" },
    { "suspended for an incident", "edit input", "suspended: instance.edited | continue, incident x" },
    { "suspended for an incident", "fail", "faulted: instance.failed x" },
    { "suspended for an incident", "cancel", "cancelled: instance.cancelled" },
    { "suspended for an incident", "suspend", "same: it was suspended before" },
    { "suspended for an incident", "continue", "waiting: instance.resumed, task.started x | activity x" },
    { "faulted", "retry", "waiting: instance.retried x, task.started x | activity x" },
    { "faulted", "retry with input", "waiting: instance.retried x, task.started x | activity x" },
    { "faulted", "skip", "waiting: instance.skipped x, task.skipped x, task.started n | activity n {\"got\":{\"k\":1},\"c\":null}" },
    { "faulted", "skip with output", "waiting: instance.skipped x, task.skipped x, task.started n | activity n {\"got\":{\"out\":1},\"c\":null}" },
    { "faulted", "goto the next", "waiting: instance.moved x to n, task.started n | activity n {\"got\":{\"k\":1},\"c\":null}" },
    { "faulted", "goto itself", "waiting: instance.moved x to x, task.started x | activity x" },
    { "faulted", "goto nowhere", "invalid/: '/do/7/z' cannot be gone to from here; these can: /do/0/x, /do/1/n" },
    { "faulted", "edit context", "faulted: instance.edited | incident x" },
    { "faulted", "edit input", "faulted: instance.edited | incident x" },
    { "faulted", "fail", "faulted: instance.failed x" },
    { "faulted", "cancel", "cancelled: instance.cancelled" },
    { "faulted", "suspend", "state/instance-ended: the instance has faulted" },
    { "faulted", "continue", "state/instance-ended: the instance has faulted" },
    { "given up", "retry", "state/instance-ended: the instance has faulted" },
    { "given up", "retry with input", "state/instance-ended: the instance has faulted" },
    { "given up", "skip", "state/instance-ended: the instance has faulted" },
    { "given up", "skip with output", "state/instance-ended: the instance has faulted" },
    { "given up", "goto the next", "state/instance-ended: the instance has faulted" },
    { "given up", "goto itself", "state/instance-ended: the instance has faulted" },
    { "given up", "goto nowhere", "state/instance-ended: the instance has faulted" },
    { "given up", "edit context", "state/instance-ended: the instance has faulted" },
    { "given up", "edit input", "state/instance-ended: the instance has faulted" },
    { "given up", "fail", "same: it was given up before" },
    { "given up", "cancel", "state/instance-ended: the instance has faulted" },
    { "given up", "suspend", "state/instance-ended: the instance has faulted" },
    { "given up", "continue", "state/instance-ended: the instance has faulted" },
    { "cancelled", "retry", "state/instance-ended: the instance was cancelled" },
    { "cancelled", "retry with input", "state/instance-ended: the instance was cancelled" },
    { "cancelled", "skip", "state/instance-ended: the instance was cancelled" },
    { "cancelled", "skip with output", "state/instance-ended: the instance was cancelled" },
    { "cancelled", "goto the next", "state/instance-ended: the instance was cancelled" },
    { "cancelled", "goto itself", "state/instance-ended: the instance was cancelled" },
    { "cancelled", "goto nowhere", "state/instance-ended: the instance was cancelled" },
    { "cancelled", "edit context", "state/instance-ended: the instance was cancelled" },
    { "cancelled", "edit input", "state/instance-ended: the instance was cancelled" },
    { "cancelled", "fail", "state/instance-ended: the instance was cancelled" },
    { "cancelled", "cancel", "same: it was cancelled before" },
    { "cancelled", "suspend", "state/instance-ended: the instance was cancelled" },
    { "cancelled", "continue", "state/instance-ended: the instance was cancelled" },
    { "completed", "retry", "state/instance-ended: the instance has completed" },
    { "completed", "retry with input", "state/instance-ended: the instance has completed" },
    { "completed", "skip", "state/instance-ended: the instance has completed" },
    { "completed", "skip with output", "state/instance-ended: the instance has completed" },
    { "completed", "goto the next", "state/instance-ended: the instance has completed" },
    { "completed", "goto itself", "state/instance-ended: the instance has completed" },
    { "completed", "goto nowhere", "state/instance-ended: the instance has completed" },
    { "completed", "edit context", "state/instance-ended: the instance has completed" },
    { "completed", "edit input", "state/instance-ended: the instance has completed" },
    { "completed", "fail", "state/instance-ended: the instance has completed" },
    { "completed", "cancel", "state/instance-ended: the instance has completed" },
    { "completed", "suspend", "state/instance-ended: the instance has completed" },
    { "completed", "continue", "state/instance-ended: the instance has completed" },
    /* clang-format on */
};

TEST(actions, on_every_status)
{
    check(statuses, PW_LENGTH(statuses), on_statuses, PW_LENGTH(on_statuses));
}

/* ------------------------------------------------------------------ the workflow itself has failed */

static void ends(fixture *f)
{
    fixture_result(f, 1, 1, "{\"a\":1}");
}

static const situation roots[] = {
    { "at its beginning", HEAD "input: { from: '${ .k.x }' }\ndo:\n  - x: { call: work, with: { got: '${ . }' } }\n", nothing, 0 },
    { "at its end", HEAD "output: { as: '${ .a.b }' }\ndo:\n  - x: { call: work, with: { got: '${ . }' } }\n", ends, 0 },
    { "by its timeout", HEAD "timeout: { after: PT1M }\ndo:\n  - x: { call: work, with: { got: '${ . }' } }\n" NEXT, minute, 0 },
};

static const row on_roots[] = {
    /* clang-format off */
    { NULL, "retry with input", "state/: the workflow itself has failed, not a task: its input stays as it was" },
    { NULL, "edit input", "invalid/answer-not-valid: operation 0 of the patch: replace '/input': the whole has no member 'input'" },
    { NULL, "suspend", "state/instance-ended: the instance has faulted" },
    { NULL, "continue", "state/instance-ended: the instance has faulted" },
    { "at its beginning", "retry", "faulted: instance.retried, instance.faulted | incident " },
    { "at its end", "retry", "faulted: instance.retried, instance.faulted | incident " },
    { "by its timeout", "retry", "waiting: instance.retried | activity x" },
    { "at its beginning", "skip", "state/: the workflow itself has failed, before its end: there is no task to skip; retry it, or go to one of its tasks" },
    { "at its end", "skip", "completed: instance.skipped, instance.completed -> {\"a\":1}" },
    { "by its timeout", "skip", "state/: the workflow itself has failed, before its end: there is no task to skip; retry it, or go to one of its tasks" },
    { "at its beginning", "skip with output", "state/: the workflow itself has failed, before its end: there is no task to skip; retry it, or go to one of its tasks" },
    { "at its end", "skip with output", "completed: instance.skipped, instance.completed -> {\"out\":1}" },
    { "by its timeout", "skip with output", "state/: the workflow itself has failed, before its end: there is no task to skip; retry it, or go to one of its tasks" },
    { "at its beginning", "goto the next", "invalid/: '/do/1/n' cannot be gone to from here; these can: /do/0/x" },
    { "at its end", "goto the next", "invalid/: '/do/1/n' cannot be gone to from here; these can: /do/0/x" },
    { "by its timeout", "goto the next", "state/outcome-unknown: the call of 'x' (/do/0/x) may have had its effect; to go on elsewhere leaves that open. Look at the service, then confirm that you know" },
    { "at its beginning", "goto itself", "waiting: instance.moved to x, task.started x | activity x {\"got\":{\"k\":{\"x\":9}}}" },
    { "at its end", "goto itself", "waiting: instance.moved to x, task.started x | activity x {\"got\":{\"k\":{\"x\":9}}}" },
    { "by its timeout", "goto itself", "state/outcome-unknown: the call of 'x' (/do/0/x) may have had its effect; to go on elsewhere leaves that open. Look at the service, then confirm that you know" },
    { "at its beginning", "goto nowhere", "invalid/: '/do/7/z' cannot be gone to from here; these can: /do/0/x" },
    { "at its end", "goto nowhere", "invalid/: '/do/7/z' cannot be gone to from here; these can: /do/0/x" },
    { "by its timeout", "goto nowhere", "invalid/: '/do/7/z' cannot be gone to from here; these can: /do/0/x, /do/1/n" },
    { "at its beginning", "edit context", "faulted: instance.edited | incident " },
    { "at its end", "edit context", "faulted: instance.edited | incident " },
    { "by its timeout", "edit context", "faulted: instance.edited | incident , activity x" },
    { "at its beginning", "fail", "faulted: instance.failed" },
    { "at its end", "fail", "faulted: instance.failed" },
    { "by its timeout", "fail", "faulted: instance.failed, task.cancelled x" },
    { "at its beginning", "cancel", "cancelled: instance.cancelled" },
    { "at its end", "cancel", "cancelled: instance.cancelled" },
    { "by its timeout", "cancel", "cancelled: instance.cancelled, task.cancelled x" },
    /* clang-format on */
};

TEST(actions, on_a_workflow_that_has_failed_itself)
{
    check(roots, PW_LENGTH(roots), on_roots, PW_LENGTH(on_roots));
}

/* ------------------------------------------------------------------ calls that may have had their effect */

static void called(fixture *f, pw_call_result result)
{
    fixture_called(f, 1, 1, result);
}

static void no_answer_in_time(fixture *f)
{
    called(f, (pw_call_result){ .timed_out = true, .class_ = PW_CLASS_TIMEOUT, .error = PW_LIT("late") });
}

static void broke_off(fixture *f)
{
    called(f, (pw_call_result){ .class_ = PW_CLASS_CONNECTION, .error = PW_LIT("reset") });
}

static void unreadable(fixture *f)
{
    called(f, (pw_call_result){ .class_ = PW_CLASS_MALFORMED, .error = PW_LIT("not HTTP") });
}

static void not_sent(fixture *f)
{
    called(f, (pw_call_result){ .class_ = PW_CLASS_CONNECTION, .unsent = true, .error = PW_LIT("refused") });
}

static void forbidden(fixture *f)
{
    called(f, (pw_call_result){ .class_ = PW_CLASS_FORBIDDEN, .error = PW_LIT("not there") });
}

static void breaker_open(fixture *f)
{
    called(f, (pw_call_result){ .class_ = PW_CLASS_OPEN, .error = PW_LIT("open") });
}

static void answered_late(fixture *f)
{
    fixture_retries(f, 1);
    no_answer_in_time(f);
    fixture_reload(f);
    fixture_timer(f, f->t.timer_at);
    fixture_reload(f);
    fixture_called(f, 1, 2, (pw_call_result){ .answered = true, .status = 503 });
}

static void call_lost(fixture *f)
{
    pw_event event = { .kind = PW_EVENT_CALL_LOST, .now_ms = f->now_ms, .seed = 7, .visit = 1, .attempt = 1 };
    fixture_event(f, &event);
}

static void good(fixture *f)
{
    fixture_answer(f, 1, 200, "application/json", "1");
}

static void work_done(fixture *f)
{
    fixture_result(f, 1, 1, "1");
}

static void work_lost(fixture *f)
{
    f->faults.rules[PW_FAULT_ACTIVITY][PW_CLASS_LOST].retried = false;
    fixture_lost(f, 1, 1);
}

static void work_timed_out(fixture *f)
{
    fixture_failed(f, 1, 1, "{\"status\":408}");
}

#define WITH "with: { method: post, endpoint: 'http://x.test/', body: '${ . }' }"
#define CALL "  - x: { call: http, " WITH " }\n" NEXT
#define ASK "  - x: { call: http, " WITH ", metadata: { pawl: { resilience: { onUnknownOutcome: ask } } } }\n" NEXT
#define CALL_LATE "  - x: { call: http, " WITH ", " LATE " }\n" NEXT
#define WORK "  - x: { call: work, with: { got: '${ . }' } }\n" NEXT
#define WORK_LATE "  - x: { call: work, with: { got: '${ . }' }, " LATE " }\n" NEXT

static const situation doubts[] = {
    { "no answer in time", CALL, no_answer_in_time, 0 },
    { "the connection broke", CALL, broke_off, 0 },
    { "an answer that cannot be read", CALL, unreadable, 0 },
    { "answered, but the attempt before was not", CALL, answered_late, 0 },
    { "nobody knows, and somebody is to be asked", ASK, no_answer_in_time, 0 },
    { "lost, and somebody is to be asked", ASK, call_lost, 0 },
    { "the task has timed out with a call in flight", CALL_LATE, minute, 0 },
    { "answered, and the output does not fit", "  - x: { call: http, " WITH ", output: { as: '${ .a.b }' } }\n" NEXT, good, 0 },
    { "a job is lost", WORK, work_lost, 0 },
    { "a job has timed out", WORK, work_timed_out, 0 },
    { "the task has timed out with a job in flight", WORK_LATE, minute, 0 },
    { "a job is done, and the output does not fit", "  - x: { call: work, with: { got: '${ . }' }, output: { as: '${ .a.b }' } }\n" NEXT, work_done, 0 },
};

static const situation clear[] = {
    { "refused by the service", CALL, refused, 0 },
    { "not sent", CALL, not_sent, 0 },
    { "forbidden", CALL, forbidden, 0 },
    { "the breaker is open", CALL, breaker_open, 0 },
    { "a job has failed", WORK, work_failed, 0 },
};

static const row on_doubts[] = {
    /* clang-format off */
    { NULL, "retry with input", "state/outcome-unknown: the call of 'x' (/do/0/x) may have had its effect; another request would be sent instead of it. Look at the service, then confirm that you know" },
    { NULL, "skip", "state/outcome-unknown: the call of 'x' (/do/0/x) may have had its effect; to skip it leaves that open. Look at the service, then confirm that you know" },
    { NULL, "skip with output", "state/outcome-unknown: the call of 'x' (/do/0/x) may have had its effect; to skip it leaves that open. Look at the service, then confirm that you know" },
    { NULL, "goto the next", "state/outcome-unknown: the call of 'x' (/do/0/x) may have had its effect; to go on elsewhere leaves that open. Look at the service, then confirm that you know" },
    { NULL, "goto itself", "state/outcome-unknown: the call of 'x' (/do/0/x) may have had its effect; to go on elsewhere leaves that open. Look at the service, then confirm that you know" },
    { NULL, "skip, confirmed", "waiting: instance.skipped x (confirmed), task.skipped x, task.started n | activity n {\"got\":{\"k\":1},\"c\":null}" },
    { NULL, "goto the next, confirmed", "waiting: instance.moved x to n (confirmed), task.started n | activity n {\"got\":{\"k\":1},\"c\":null}" },
    { "no answer in time", "retry", "waiting: instance.retried x, task.started x | call x" },
    { "the connection broke", "retry", "waiting: instance.retried x, task.started x | call x" },
    { "an answer that cannot be read", "retry", "waiting: instance.retried x, task.started x | call x" },
    { "answered, but the attempt before was not", "retry", "waiting: instance.retried x, task.started x | call x" },
    { "nobody knows, and somebody is to be asked", "retry", "waiting: instance.retried x, attempt.started x | call x" },
    { "lost, and somebody is to be asked", "retry", "waiting: instance.retried x, attempt.started x | call x" },
    { "the task has timed out with a call in flight", "retry", "waiting: instance.retried x, task.started x | call x" },
    { "answered, and the output does not fit", "retry", "waiting: instance.retried x, task.started x | call x" },
    { "a job is lost", "retry", "waiting: instance.retried x, task.started x | activity x {\"got\":{\"k\":1}}" },
    { "a job has timed out", "retry", "waiting: instance.retried x, task.started x | activity x {\"got\":{\"k\":1}}" },
    { "the task has timed out with a job in flight", "retry", "waiting: instance.retried x, task.started x | activity x {\"got\":{\"k\":1}}" },
    { "a job is done, and the output does not fit", "retry", "waiting: instance.retried x, task.started x | activity x {\"got\":{\"k\":1}}" },
    { "no answer in time", "retry, confirmed", "waiting: instance.retried x (confirmed), task.started x | call x" },
    { "the connection broke", "retry, confirmed", "waiting: instance.retried x (confirmed), task.started x | call x" },
    { "an answer that cannot be read", "retry, confirmed", "waiting: instance.retried x (confirmed), task.started x | call x" },
    { "answered, but the attempt before was not", "retry, confirmed", "waiting: instance.retried x (confirmed), task.started x | call x" },
    { "nobody knows, and somebody is to be asked", "retry, confirmed", "waiting: instance.retried x (confirmed), attempt.started x | call x" },
    { "lost, and somebody is to be asked", "retry, confirmed", "waiting: instance.retried x (confirmed), attempt.started x | call x" },
    { "the task has timed out with a call in flight", "retry, confirmed", "waiting: instance.retried x (confirmed), task.started x | call x" },
    { "answered, and the output does not fit", "retry, confirmed", "waiting: instance.retried x (confirmed), task.started x | call x" },
    { "a job is lost", "retry, confirmed", "waiting: instance.retried x (confirmed), task.started x | activity x {\"got\":{\"k\":1}}" },
    { "a job has timed out", "retry, confirmed", "waiting: instance.retried x (confirmed), task.started x | activity x {\"got\":{\"k\":1}}" },
    { "the task has timed out with a job in flight", "retry, confirmed", "waiting: instance.retried x (confirmed), task.started x | activity x {\"got\":{\"k\":1}}" },
    { "a job is done, and the output does not fit", "retry, confirmed", "waiting: instance.retried x (confirmed), task.started x | activity x {\"got\":{\"k\":1}}" },
    { "no answer in time", "retry with input, confirmed", "waiting: instance.retried x (confirmed), task.started x | call x" },
    { "the connection broke", "retry with input, confirmed", "waiting: instance.retried x (confirmed), task.started x | call x" },
    { "an answer that cannot be read", "retry with input, confirmed", "waiting: instance.retried x (confirmed), task.started x | call x" },
    { "answered, but the attempt before was not", "retry with input, confirmed", "waiting: instance.retried x (confirmed), task.started x | call x" },
    { "nobody knows, and somebody is to be asked", "retry with input, confirmed", "waiting: instance.retried x (confirmed), task.started x | call x" },
    { "lost, and somebody is to be asked", "retry with input, confirmed", "waiting: instance.retried x (confirmed), task.started x | call x" },
    { "the task has timed out with a call in flight", "retry with input, confirmed", "waiting: instance.retried x (confirmed), task.started x | call x" },
    { "answered, and the output does not fit", "retry with input, confirmed", "waiting: instance.retried x (confirmed), task.started x | call x" },
    { "a job is lost", "retry with input, confirmed", "waiting: instance.retried x (confirmed), task.started x | activity x {\"got\":{\"k\":{\"x\":7}}}" },
    { "a job has timed out", "retry with input, confirmed", "waiting: instance.retried x (confirmed), task.started x | activity x {\"got\":{\"k\":{\"x\":7}}}" },
    { "the task has timed out with a job in flight", "retry with input, confirmed", "waiting: instance.retried x (confirmed), task.started x | activity x {\"got\":{\"k\":{\"x\":7}}}" },
    { "a job is done, and the output does not fit", "retry with input, confirmed", "waiting: instance.retried x (confirmed), task.started x | activity x {\"got\":{\"k\":{\"x\":7}}}" },
    /* clang-format on */
};

TEST(doubt, another_request_or_none_needs_a_word)
{
    check(doubts, PW_LENGTH(doubts), on_doubts, PW_LENGTH(on_doubts));
}

static const row on_clear[] = {
    /* clang-format off */
    { NULL, "skip", "waiting: instance.skipped x, task.skipped x, task.started n | activity n {\"got\":{\"k\":1},\"c\":null}" },
    { NULL, "skip with output", "waiting: instance.skipped x, task.skipped x, task.started n | activity n {\"got\":{\"out\":1},\"c\":null}" },
    { NULL, "goto the next", "waiting: instance.moved x to n, task.started n | activity n {\"got\":{\"k\":1},\"c\":null}" },
    { "refused by the service", "retry", "waiting: instance.retried x, task.started x | call x" },
    { "not sent", "retry", "waiting: instance.retried x, task.started x | call x" },
    { "forbidden", "retry", "waiting: instance.retried x, task.started x | call x" },
    { "the breaker is open", "retry", "waiting: instance.retried x, task.started x | call x" },
    { "a job has failed", "retry", "waiting: instance.retried x, task.started x | activity x {\"got\":{\"k\":1}}" },
    { "refused by the service", "retry with input", "waiting: instance.retried x, task.started x | call x" },
    { "not sent", "retry with input", "waiting: instance.retried x, task.started x | call x" },
    { "forbidden", "retry with input", "waiting: instance.retried x, task.started x | call x" },
    { "the breaker is open", "retry with input", "waiting: instance.retried x, task.started x | call x" },
    { "a job has failed", "retry with input", "waiting: instance.retried x, task.started x | activity x {\"got\":{\"k\":{\"x\":7}}}" },
    { "refused by the service", "goto itself", "waiting: instance.moved x to x, task.started x | call x" },
    { "not sent", "goto itself", "waiting: instance.moved x to x, task.started x | call x" },
    { "forbidden", "goto itself", "waiting: instance.moved x to x, task.started x | call x" },
    { "the breaker is open", "goto itself", "waiting: instance.moved x to x, task.started x | call x" },
    { "a job has failed", "goto itself", "waiting: instance.moved x to x, task.started x | activity x {\"got\":{\"k\":{\"x\":9}}}" },
    /* clang-format on */
};

TEST(doubt, is_none_where_nothing_can_have_happened)
{
    check(clear, PW_LENGTH(clear), on_clear, PW_LENGTH(on_clear));
}

/* ------------------------------------------------------------------ what was done can be undone */

#define BOOK                                                                                       \
    "  - book: { call: work, metadata: { pawl: { compensate: { call: unbook, with: { id: '${ .id }' } } } } }\n" \
    "  - x: { call: work }\n"                                                                      \
    "  - n: { call: work }\n"

static void booked(fixture *f)
{
    fixture_result(f, 1, 1, "{\"id\":7}");
    EXPECT_INT(f->t.undo_count, 1);
    fixture_reload(f);
}

static void booked_suspended(fixture *f)
{
    booked(f);
    suspended(f);
}

static void booked_failed(fixture *f)
{
    booked(f);
    fixture_failed(f, 2, 1, "{\"status\":418}");
}

static void booked_given_up(fixture *f)
{
    booked_failed(f);
    fixture_reload(f);
    fixture_command(f, PW_EVENT_FAIL, "bob", "");
}

static void booked_cancelled(fixture *f)
{
    booked(f);
    fixture_command(f, PW_EVENT_CANCEL, "bob", "");
}

static void booked_completed(fixture *f)
{
    booked(f);
    fixture_result(f, 2, 1, "2");
    fixture_reload(f);
    fixture_result(f, 3, 1, "3");
    EXPECT_STATUS(*f, "completed");
}

/* The one row that there is. */
static void plan(fixture *f, pw_undo_state state)
{
    pw_plan_wanted wanted;
    EXPECT(pw_state_plan_wanted(&wanted, f->state));
    const pw_undo_step done = { .ordinal = 1, .task = PW_LIT("/do/0/book"), .visit = 1, .key = PW_LIT("key"), .arguments = PW_LIT("{\"id\":7}"),
                               .state = state };
    const pw_event event = { .kind = PW_EVENT_PLAN, .now_ms = f->now_ms, .seed = 7, .visit = wanted.visit, .number = wanted.below,
                             .plan = &done, .plan_count = 1, .plan_ends = true };
    fixture_event(f, &event);
    fixture_reload(f);
}

static void asks_for_its_plan(fixture *f)
{
    booked(f);
    fixture_command(f, PW_EVENT_COMPENSATE, "bob", "");
    EXPECT_STATUS(*f, "compensating");
}

static void undoes(fixture *f)
{
    asks_for_its_plan(f);
    fixture_reload(f);
    plan(f, PW_UNDO_REGISTERED);
    EXPECT_INT(f->t.work_count, 1);
}

static void undoes_suspended(fixture *f)
{
    undoes(f);
    suspended(f);
}

static void undo_failed(fixture *f)
{
    undoes(f);
    fixture_failed(f, f->t.work[0].visit, 1, "{\"status\":418}");
}

static void undo_lost(fixture *f)
{
    undoes(f);
    f->faults.rules[PW_FAULT_ACTIVITY][PW_CLASS_LOST].retried = false;
    fixture_lost(f, f->t.work[0].visit, 1);
}

static void undo_unknown(fixture *f)
{
    asks_for_its_plan(f);
    fixture_reload(f);
    plan(f, PW_UNDO_UNKNOWN);
    EXPECT_STATUS(*f, "faulted");
}

static void undone(fixture *f)
{
    undoes(f);
    fixture_result(f, f->t.work[0].visit, 1, "1");
    EXPECT_STATUS(*f, "compensated");
}

static const situation booking[] = {
    { "waiting", BOOK, booked, 0 },
    { "suspended", BOOK, booked_suspended, 0 },
    { "faulted", BOOK, booked_failed, 0 },
    { "given up", BOOK, booked_given_up, 0 },
    { "cancelled", BOOK, booked_cancelled, 0 },
    { "completed", BOOK, booked_completed, 0 },
};

static const situation undoing[] = {
    { "asks for its plan", BOOK, asks_for_its_plan, 0 },
    { "undoes", BOOK, undoes, 0 },
    { "undoes, suspended", BOOK, undoes_suspended, 0 },
    { "a step has failed", BOOK, undo_failed, 0 },
    { "a step was lost", BOOK, undo_lost, 0 },
    { "a step of which nobody knows", BOOK, undo_unknown, 0 },
    { "undone", BOOK, undone, 0 },
};

static const row on_booking[] = {
    /* clang-format off */
    { "waiting", "compensate", "compensating: compensation.started, task.cancelled x, task.started compensation" },
    { "suspended", "compensate", "compensating: compensation.started, task.cancelled x, task.started compensation" },
    { "faulted", "compensate", "compensating: compensation.started, task.started compensation" },
    { "given up", "compensate", "compensating: compensation.started, task.started compensation" },
    { "cancelled", "compensate", "compensating: compensation.started, task.started compensation" },
    { "completed", "compensate", "compensating: compensation.started, task.started compensation" },
    /* clang-format on */
};

TEST(compensate, whatever_its_status_as_long_as_something_was_done)
{
    check(booking, PW_LENGTH(booking), on_booking, PW_LENGTH(on_booking));
}

static const row on_undoing[] = {
    /* clang-format off */
    { "asks for its plan", "retry", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "undoes", "retry", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "undoes, suspended", "retry", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "a step has failed", "retry", "compensating: instance.retried compensate, compensation.step compensate, task.started compensate | activity compensate {\"id\":7}" },
    { "a step was lost", "retry", "compensating: instance.retried compensate, compensation.step compensate, task.started compensate | activity compensate {\"id\":7}" },
    { "a step of which nobody knows", "retry", "state/outcome-unknown: nobody knows whether /do/0/book had its effect, and there is anything to undo. Look there, then confirm that it is to be undone, or skip it" },
    { "undone", "retry", "state/instance-ended: the instance was compensated" },
    { "asks for its plan", "retry with input", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "undoes", "retry with input", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "undoes, suspended", "retry with input", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "a step has failed", "retry with input", "compensating: instance.retried compensate, compensation.step compensate, task.started compensate | activity compensate {\"k\":{\"x\":7}}" },
    { "a step was lost", "retry with input", "state/outcome-unknown: the call of 'compensate' (/do/0/book/metadata/pawl/compensate) may have had its effect; another request would be sent instead of it. Look at the service, then confirm that you know" },
    { "a step of which nobody knows", "retry with input", "state/outcome-unknown: nobody knows whether /do/0/book had its effect, and there is anything to undo. Look there, then confirm that it is to be undone, or skip it" },
    { "undone", "retry with input", "state/instance-ended: the instance was compensated" },
    { "asks for its plan", "skip", "state/no-incident: no incident is open" },
    { "undoes", "skip", "state/no-incident: no incident is open" },
    { "undoes, suspended", "skip", "state/no-incident: no incident is open" },
    { "a step has failed", "skip", "compensated: instance.skipped compensate, compensation.skipped compensate, compensation.completed compensation" },
    { "a step was lost", "skip", "state/outcome-unknown: the call of 'compensate' (/do/0/book/metadata/pawl/compensate) may have had its effect; to skip it leaves that open. Look at the service, then confirm that you know" },
    { "a step of which nobody knows", "skip", "compensated: instance.skipped compensate, compensation.skipped compensate, compensation.completed compensation" },
    { "undone", "skip", "state/instance-ended: the instance was compensated" },
    { "asks for its plan", "skip with output", "state/no-incident: no incident is open" },
    { "undoes", "skip with output", "state/no-incident: no incident is open" },
    { "undoes, suspended", "skip with output", "state/no-incident: no incident is open" },
    { "a step has failed", "skip with output", "compensated: instance.skipped compensate, compensation.skipped compensate, compensation.completed compensation" },
    { "a step was lost", "skip with output", "state/outcome-unknown: the call of 'compensate' (/do/0/book/metadata/pawl/compensate) may have had its effect; to skip it leaves that open. Look at the service, then confirm that you know" },
    { "a step of which nobody knows", "skip with output", "compensated: instance.skipped compensate, compensation.skipped compensate, compensation.completed compensation" },
    { "undone", "skip with output", "state/instance-ended: the instance was compensated" },
    { "asks for its plan", "goto the next", "state/no-incident: no incident is open" },
    { "undoes", "goto the next", "state/no-incident: no incident is open" },
    { "undoes, suspended", "goto the next", "state/no-incident: no incident is open" },
    { "a step has failed", "goto the next", "invalid/: '/do/1/n' cannot be gone to from here: it undoes something" },
    { "a step was lost", "goto the next", "invalid/: '/do/1/n' cannot be gone to from here: it undoes something" },
    { "a step of which nobody knows", "goto the next", "invalid/: '/do/1/n' cannot be gone to from here: it undoes something" },
    { "undone", "goto the next", "state/instance-ended: the instance was compensated" },
    { "asks for its plan", "goto itself", "state/no-incident: no incident is open" },
    { "undoes", "goto itself", "state/no-incident: no incident is open" },
    { "undoes, suspended", "goto itself", "state/no-incident: no incident is open" },
    { "a step has failed", "goto itself", "invalid/: '/do/0/x' cannot be gone to from here: it undoes something" },
    { "a step was lost", "goto itself", "invalid/: '/do/0/x' cannot be gone to from here: it undoes something" },
    { "a step of which nobody knows", "goto itself", "invalid/: '/do/0/x' cannot be gone to from here: it undoes something" },
    { "undone", "goto itself", "state/instance-ended: the instance was compensated" },
    { "asks for its plan", "goto nowhere", "state/no-incident: no incident is open" },
    { "undoes", "goto nowhere", "state/no-incident: no incident is open" },
    { "undoes, suspended", "goto nowhere", "state/no-incident: no incident is open" },
    { "a step has failed", "goto nowhere", "invalid/: '/do/7/z' cannot be gone to from here: it undoes something" },
    { "a step was lost", "goto nowhere", "invalid/: '/do/7/z' cannot be gone to from here: it undoes something" },
    { "a step of which nobody knows", "goto nowhere", "invalid/: '/do/7/z' cannot be gone to from here: it undoes something" },
    { "undone", "goto nowhere", "state/instance-ended: the instance was compensated" },
    { "asks for its plan", "edit context", "compensating: instance.edited" },
    { "undoes", "edit context", "compensating: instance.edited | activity compensate" },
    { "undoes, suspended", "edit context", "suspended: instance.edited | continue, activity compensate" },
    { "a step has failed", "edit context", "faulted: instance.edited | incident compensate" },
    { "a step was lost", "edit context", "faulted: instance.edited | incident compensate" },
    { "a step of which nobody knows", "edit context", "faulted: instance.edited | incident compensate" },
    { "undone", "edit context", "state/instance-ended: the instance was compensated" },
    { "asks for its plan", "edit input", "invalid/answer-not-valid: operation 0 of the patch: replace '/input': the whole has no member 'input'" },
    { "undoes", "edit input", "invalid/answer-not-valid: operation 0 of the patch: replace '/input': the whole has no member 'input'" },
    { "undoes, suspended", "edit input", "invalid/answer-not-valid: operation 0 of the patch: replace '/input': the whole has no member 'input'" },
    { "a step has failed", "edit input", "faulted: instance.edited | incident compensate" },
    { "a step was lost", "edit input", "faulted: instance.edited | incident compensate" },
    { "a step of which nobody knows", "edit input", "faulted: instance.edited | incident compensate" },
    { "undone", "edit input", "state/instance-ended: the instance was compensated" },
    { "asks for its plan", "fail", "state/no-incident: no incident is open" },
    { "undoes", "fail", "state/no-incident: no incident is open" },
    { "undoes, suspended", "fail", "state/no-incident: no incident is open" },
    { "a step has failed", "fail", "faulted: instance.failed compensate, task.cancelled compensation" },
    { "a step was lost", "fail", "faulted: instance.failed compensate, task.cancelled compensation" },
    { "a step of which nobody knows", "fail", "faulted: instance.failed compensate, task.cancelled compensation" },
    { "undone", "fail", "state/instance-ended: the instance was compensated" },
    { "asks for its plan", "cancel", "state/: the instance is being compensated, which ends by itself; only at an incident of it the rest can be left" },
    { "undoes", "cancel", "state/: the instance is being compensated, which ends by itself; only at an incident of it the rest can be left" },
    { "undoes, suspended", "cancel", "state/: the instance is being compensated, which ends by itself; only at an incident of it the rest can be left" },
    { "a step has failed", "cancel", "cancelled: instance.cancelled, task.cancelled compensation" },
    { "a step was lost", "cancel", "cancelled: instance.cancelled, task.cancelled compensation" },
    { "a step of which nobody knows", "cancel", "cancelled: instance.cancelled, task.cancelled compensation" },
    { "undone", "cancel", "state/instance-ended: the instance was compensated" },
    { "asks for its plan", "suspend", "suspended: instance.suspended | continue" },
    { "undoes", "suspend", "suspended: instance.suspended | continue, activity compensate" },
    { "undoes, suspended", "suspend", "same: it was suspended before" },
    { "a step has failed", "suspend", "state/instance-ended: the instance has faulted" },
    { "a step was lost", "suspend", "state/instance-ended: the instance has faulted" },
    { "a step of which nobody knows", "suspend", "state/instance-ended: the instance has faulted" },
    { "undone", "suspend", "state/instance-ended: the instance was compensated" },
    { "asks for its plan", "continue", "same: it is not suspended" },
    { "undoes", "continue", "same: it is not suspended" },
    { "undoes, suspended", "continue", "compensating: instance.resumed | activity compensate" },
    { "a step has failed", "continue", "state/instance-ended: the instance has faulted" },
    { "a step was lost", "continue", "state/instance-ended: the instance has faulted" },
    { "a step of which nobody knows", "continue", "state/instance-ended: the instance has faulted" },
    { "undone", "continue", "state/instance-ended: the instance was compensated" },
    { "asks for its plan", "compensate", "same: it is being compensated" },
    { "undoes", "compensate", "same: it is being compensated" },
    { "undoes, suspended", "compensate", "same: it is being compensated" },
    { "a step has failed", "compensate", "same: it is being compensated" },
    { "a step was lost", "compensate", "same: it is being compensated" },
    { "a step of which nobody knows", "compensate", "same: it is being compensated" },
    { "undone", "compensate", "same: it was compensated before" },
    { "asks for its plan", "retry, confirmed", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "undoes", "retry, confirmed", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "undoes, suspended", "retry, confirmed", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "a step has failed", "retry, confirmed", "compensating: instance.retried compensate, compensation.step compensate, task.started compensate | activity compensate {\"id\":7}" },
    { "a step was lost", "retry, confirmed", "compensating: instance.retried compensate (confirmed), compensation.step compensate, task.started compensate | activity compensate {\"id\":7}" },
    { "a step of which nobody knows", "retry, confirmed", "compensating: instance.retried compensate (confirmed), compensation.step compensate, task.started compensate | activity compensate {\"id\":7}" },
    { "undone", "retry, confirmed", "state/instance-ended: the instance was compensated" },
    { "asks for its plan", "retry with input, confirmed", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "undoes", "retry with input, confirmed", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "undoes, suspended", "retry with input, confirmed", "state/no-incident: no incident is open, and nothing waits for its next attempt" },
    { "a step has failed", "retry with input, confirmed", "compensating: instance.retried compensate, compensation.step compensate, task.started compensate | activity compensate {\"k\":{\"x\":7}}" },
    { "a step was lost", "retry with input, confirmed", "compensating: instance.retried compensate (confirmed), compensation.step compensate, task.started compensate | activity compensate {\"k\":{\"x\":7}}" },
    { "a step of which nobody knows", "retry with input, confirmed", "compensating: instance.retried compensate (confirmed), compensation.step compensate, task.started compensate | activity compensate {\"k\":{\"x\":7}}" },
    { "undone", "retry with input, confirmed", "state/instance-ended: the instance was compensated" },
    { "asks for its plan", "skip, confirmed", "state/no-incident: no incident is open" },
    { "undoes", "skip, confirmed", "state/no-incident: no incident is open" },
    { "undoes, suspended", "skip, confirmed", "state/no-incident: no incident is open" },
    { "a step has failed", "skip, confirmed", "compensated: instance.skipped compensate, compensation.skipped compensate, compensation.completed compensation" },
    { "a step was lost", "skip, confirmed", "compensated: instance.skipped compensate (confirmed), compensation.skipped compensate, compensation.completed compensation" },
    { "a step of which nobody knows", "skip, confirmed", "compensated: instance.skipped compensate (confirmed), compensation.skipped compensate, compensation.completed compensation" },
    { "undone", "skip, confirmed", "state/instance-ended: the instance was compensated" },
    { "asks for its plan", "goto the next, confirmed", "state/no-incident: no incident is open" },
    { "undoes", "goto the next, confirmed", "state/no-incident: no incident is open" },
    { "undoes, suspended", "goto the next, confirmed", "state/no-incident: no incident is open" },
    { "a step has failed", "goto the next, confirmed", "invalid/: '/do/1/n' cannot be gone to from here: it undoes something" },
    { "a step was lost", "goto the next, confirmed", "invalid/: '/do/1/n' cannot be gone to from here: it undoes something" },
    { "a step of which nobody knows", "goto the next, confirmed", "invalid/: '/do/1/n' cannot be gone to from here: it undoes something" },
    { "undone", "goto the next, confirmed", "state/instance-ended: the instance was compensated" },
    /* clang-format on */
};

TEST(compensate, and_every_action_on_what_undoes)
{
    check(undoing, PW_LENGTH(undoing), on_undoing, PW_LENGTH(on_undoing));
}

TEST(compensate, nothing_where_nothing_was_done)
{
    static const row nothing_done = { NULL, "compensate", "state/nothing-to-compensate: nothing was done that could be undone" };
    for (size_t i = 0; i < PW_LENGTH(faulted); i++)
        if (strcmp(faulted[i].name, "run") != 0) /* its child may have done something */
            check_one(&faulted[i], &nothing_done);
    for (size_t i = 0; i < PW_LENGTH(waiting); i++)
        if (strcmp(waiting[i].name, "run") != 0)
            check_one(&waiting[i], &nothing_done);
    check(statuses, PW_LENGTH(statuses), &nothing_done, 1);
    check(roots, PW_LENGTH(roots), &nothing_done, 1);
}

TEST_MAIN()
