/* actions_test.c - what people do about an instance, by pawl_act: which action takes what, that a dry run changes nothing, that of
 * two who act at once one has the effect, and that a request is carried out once. What each action does is core's
 * (test/unit/core/actions_test.c). */
#include <limits.h>
#include "trouble.h"

static const char *const stores[] = { "memory:", NULL }; /* NULL: a file of SQLite */

static pawl_act_options action_of(const char *id, pawl_change action)
{
    return (pawl_act_options){ .struct_size = sizeof(pawl_act_options), .id = id, .action = action, .reason = "because" };
}

static pawl_code act(trouble *t, const pawl_act_options *options, const char *once, char **out)
{
    const pawl_request ann = { .struct_size = sizeof ann, .actor = "ann", .idempotency_key = once };
    return pawl_act(t->f.p, options, &ann, out, &t->f.err);
}

/* What a dry run says, to pawl_free. */
static char *foreseen(trouble *t, pawl_act_options options)
{
    char *out = NULL;
    options.dry_run = 1;
    EXPECT_OK(act(t, &options, NULL, &out), t->f.err);
    return out;
}

/* A function fails for good, and nothing else is there: one open incident. */
static char *failed(trouble *t, const char *name)
{
    static const int statuses[] = { 422 };
    t->statuses = statuses;
    t->status_count = 1;
    t->final = true;
    deploy(&t->f, name, "  - bad: {call: work, with: {n: 1}}\n  - last: {set: {ok: true}}");
    char *id = start(&t->f, name, "{\"in\":2}");
    idle(t, id);
    EXPECT_SHOW(t, id, ".status", "\"faulted\"");
    return id;
}

/* All that is stored of the instance and could change. */
static char *everything(trouble *t, const char *id)
{
    char *shown = show(&t->f, id), *log = steps(&t->f, id), *all = NULL, *calls = NULL;
    const pawl_incidents_options every = { .struct_size = sizeof every, .all = 1, .instance = id };
    EXPECT_OK(pawl_incidents(t->f.p, &every, &all, &t->f.err), t->f.err);
    EXPECT_OK(pawl_calls(t->f.p, id, &calls, &t->f.err), t->f.err);
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_printf(&buf, "[%s,%s,%s,%s]", shown, log, all, calls);
    char *text = pw_buf_take(&buf);
    EXPECT(text != NULL);
    pw_buf_done(&buf);
    pawl_free(shown);
    pawl_free(log);
    pawl_free(all);
    pawl_free(calls);
    return text;
}

/* ------------------------------------------------------------------ arguments */

TEST(actions, an_argument_that_an_action_does_not_take_is_named)
{
    static const char *const names[] = { "cancel", "suspend", "continue", "retry", "fail",
                                         "skip",   "goto",    "edit",     "compensate", "rewind" };
    static const char *const arguments[] = { "input", "output", "task", "patch", "step", "visit", "confirmed" };
    static const char *const takes[] = { /* as pawl.h says; in capitals: it cannot do without */
        "",      "",         "",     "input confirmed", "",
        "output confirmed", "TASK input confirmed", "PATCH", "task", "step visit input confirmed" };
    trouble t;
    trouble_init(&t, "memory:");
    trouble_open(&t);
    char *id = failed(&t, "bad"), expected[80];
    for (unsigned action = 0; action < PW_LENGTH(names); action++)
        for (unsigned i = 0; i < PW_LENGTH(arguments); i++) {
            pawl_act_options o = action_of(id, (pawl_change)action);
            o.task = strstr(takes[action], "TASK") || i == 2 ? "/do/0/bad" : NULL;
            o.patch = strstr(takes[action], "PATCH") || i == 3 ? "[]" : NULL;
            o.input = i == 0 ? "1" : NULL;
            o.output = i == 1 ? "1" : NULL;
            o.step = i == 4;
            o.visit = i == 5;
            o.confirmed = i == 6;
            bool taken = strstr(takes[action], arguments[i]) || (o.task && i == 2 && strstr(takes[action], "TASK")) ||
                         (o.patch && i == 3 && strstr(takes[action], "PATCH"));
            if (taken)
                continue; /* what it does is another test's */
            (void)snprintf(expected, sizeof expected, "%s: it takes no %s", names[action], arguments[i]);
            EXPECT_INT(act(&t, &o, NULL, NULL), PAWL_INVALID);
            EXPECT_TEXT(t.f.err.message, expected);
        }
    EXPECT_SHOW(&t, id, "[.status, .token]", "[\"faulted\",2]");
    pawl_free(id);
    trouble_done(&t);
}

TEST(actions, what_is_missing_or_cannot_be_read_is_named)
{
    trouble t;
    trouble_init(&t, "memory:");
    trouble_open(&t);
    char *id = failed(&t, "bad");
    const size_t size = sizeof(pawl_act_options);
    const struct {
        pawl_act_options options;
        const char *message;
    } cases[] = {
        { { .struct_size = size, .id = id, .action = PAWL_GOTO }, "goto: task is missing" },
        { { .struct_size = size, .id = id, .action = PAWL_GOTO, .task = "" }, "goto: task is missing" },
        { { .struct_size = size, .id = id, .action = PAWL_GOTO, .task = "bad" }, "goto: task is a JSON pointer" },
        { { .struct_size = size, .id = id, .action = PAWL_GOTO, .task = "/do/0/bad", .input = "{" }, "goto: input: JSON line 1" },
        { { .struct_size = size, .id = id, .action = PAWL_EDIT }, "edit: patch is missing" },
        { { .struct_size = size, .id = id, .action = PAWL_EDIT, .patch = "{}" }, "edit: patch is a JSON array of operations" },
        { { .struct_size = size, .id = id, .action = PAWL_EDIT, .patch = "[" }, "edit: patch: JSON line 1" },
        { { .struct_size = size, .id = id, .action = PAWL_RETRY, .input = "" }, "retry: input: JSON line 1" },
        { { .struct_size = size, .id = id, .action = PAWL_SKIP, .output = "nope" }, "skip: output: JSON line 1" },
        { { .struct_size = size, .id = id, .action = PAWL_COMPENSATE, .task = "do" }, "compensate: it takes no task" },
        { { .struct_size = size, .id = id, .action = PAWL_REWIND }, "rewind: give either a step or a visit" },
        { { .struct_size = size, .id = id, .action = PAWL_REWIND, .step = 1, .visit = 1 }, "rewind: give either a step or a visit" },
        { { .struct_size = size, .id = id, .action = PAWL_REWIND, .step = 1, .input = "1" }, "rewind: an input is for the task of a visit" },
        { { .struct_size = size, .id = id, .action = (pawl_change)10 }, "act: action is none of pawl_change" },
        { { .struct_size = size, .id = id, .action = (pawl_change)-1 }, "act: action is none of pawl_change" },
        { { .struct_size = size, .action = PAWL_RETRY }, "the instance's id is missing" },
        { { .id = id, .action = PAWL_RETRY }, "pawl_act_options: struct_size is 0" },
        { { .struct_size = size, .id = id, .action = PAWL_RETRY, .dry_run = 1 }, "act: out is NULL" },
        { { .struct_size = size, .id = id, .action = PAWL_RETRY, .reason = "\xff" }, "reason is not UTF-8" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        EXPECT_INT(act(&t, &cases[i].options, NULL, NULL), PAWL_INVALID);
        EXPECT_CONTAINS(t.f.err.message, cases[i].message);
    }
    EXPECT_INT(pawl_act(t.f.p, NULL, NULL, NULL, &t.f.err), PAWL_INVALID);
    EXPECT_INT(pawl_act(NULL, &cases[0].options, NULL, NULL, &t.f.err), PAWL_INVALID);
    pawl_act_options none = action_of("00000000000000000000000000", PAWL_SKIP);
    EXPECT_INT(act(&t, &none, NULL, NULL), PAWL_NOT_FOUND);
    EXPECT_INT(t.f.err.reason, PAWL_REASON_NO_INSTANCE);
    EXPECT_SHOW(&t, id, "[.status, .token]", "[\"faulted\",2]");
    pawl_free(id);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ dry runs */

TEST(actions, a_dry_run_says_what_would_be_and_changes_nothing)
{
    for (size_t i = 0; i < PW_LENGTH(stores); i++) {
        trouble t;
        pw_store_counts before, after;
        trouble_init(&t, stores[i]);
        trouble_open(&t);
        char *id = failed(&t, "bad"), incident[64];
        (void)snprintf(incident, sizeof incident, "%s-2", id);
        EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
        char *was = everything(&t, id);
        pw_store_count(t.f.p->store, &before);
        char *retry = foreseen(&t, action_of(incident, PAWL_RETRY));
        EXPECT_ASK(retry, "[.dryRun, .token, .status, .repeated, .undo]", "[true,2,\"waiting\",false,0]");
        EXPECT_ASK(retry, ".jobs", "[{\"task\":\"/do/0/bad\",\"function\":\"work\"}]");
        EXPECT_ASK(retry, "[.calls, .bookmarks, .closes, .messages]", "[[],[],[],[]]");
        EXPECT_ASK(retry, "[.events[].type]", "[\"io.serverlessworkflow.workflow.resumed.v1\"]");
        EXPECT_ASK(retry, "[.entries[] | .type][0]", "\"instance.retried\"");
        char *fail = foreseen(&t, action_of(id, PAWL_FAIL));
        EXPECT_ASK(fail, "[.status, .jobs, [.entries[] | .type]]", "[\"faulted\",[],[\"instance.failed\"]]");
        char *cancel = foreseen(&t, action_of(id, PAWL_CANCEL));
        EXPECT_ASK(cancel, ".status", "\"cancelled\"");
        pawl_act_options suspend = action_of(id, PAWL_CONTINUE); /* refused for what it would be refused */
        suspend.dry_run = 1;
        char *none = NULL;
        EXPECT_INT(act(&t, &suspend, NULL, &none), PAWL_STATE);
        EXPECT(none == NULL);
        pw_store_count(t.f.p->store, &after);
        EXPECT_INT(after.commits - before.commits, 0);
        char *is = everything(&t, id);
        EXPECT_TEXT(is, was);
        EXPECT_INT(trouble_runs(&t), 1);
        if (!stores[i])
            trouble_again(&t); /* nor did memory differ from what is stored */
        char *reread = foreseen(&t, action_of(incident, PAWL_RETRY));
        EXPECT_TEXT(reread, retry);
        pawl_free(reread);
        pawl_free(retry);
        pawl_free(fail);
        pawl_free(cancel);
        pawl_free(was);
        pawl_free(is);
        pawl_free(id);
        trouble_done(&t);
    }
}

TEST(actions, a_dry_run_of_what_is_so_already_would_change_nothing)
{
    trouble t;
    trouble_init(&t, "memory:");
    trouble_open(&t);
    deploy(&t.f, "gate", "  - work: {call: gate, with: {}}");
    char *id = start(&t.f, "gate", NULL);
    gate_wait_entered(&t.f.gate, 1);
    pawl_act_options suspend = action_of(id, PAWL_SUSPEND);
    EXPECT_OK(act(&t, &suspend, NULL, NULL), t.f.err);
    char *out = foreseen(&t, suspend);
    EXPECT_ASK(out, "[.repeated, .status, .diff, .entries, .jobs]", "[true,\"suspended\",[],[],[]]");
    pawl_free(out);
    pawl_free(id);
    trouble_done(&t);
}

TEST(actions, a_dry_run_names_what_would_be_closed)
{
    trouble t;
    trouble_init(&t, NULL);
    trouble_open(&t);
    deploy(&t.f, "open",
           "  - all:\n      fork:\n        branches:\n"
           "          - a: {call: gate, with: {}}\n"
           "          - b: {call: userTask, with: {key: sign, assignedTo: ann}}\n"
           "          - c: {wait: {hours: 1}}\n");
    char *id = start(&t.f, "open", NULL);
    gate_wait_entered(&t.f.gate, 1);
    char *out = foreseen(&t, action_of(id, PAWL_CANCEL));
    EXPECT_ASK(out, ".status", "\"cancelled\"");
    EXPECT_ASK(out, "[.closes[].kind] | sort", "[\"job\",\"timer\",\"user-action\"]");
    EXPECT_ASK(out, "[.closes[] | select(.kind == \"user-action\") | .key]", "[\"sign\"]");
    pawl_free(out);
    gate_open(&t.f.gate, UINT_MAX);
    EXPECT_INT(gate_entered(&t.f.gate), 1);
    pawl_free(id);
    trouble_done(&t);
}

TEST(actions, a_dry_run_names_the_children_that_would_hear_of_it_and_they_do_not)
{
    trouble t;
    trouble_init(&t, NULL);
    trouble_open(&t);
    deploy(&t.f, "part", "  - work: {call: gate, with: {}}");
    deploy(&t.f, "whole", "  - sub: {run: {workflow: {namespace: test, name: part, version: 1.0.0}}}");
    char *id = start(&t.f, "whole", NULL), expected[80];
    gate_wait_entered(&t.f.gate, 1);
    const char *quoted = ask_log(&t, id, "[.steps[].entries[] | select(.type == \"task.started\") | .child] | add");
    char *child = pw_strdup((pw_str){ quoted + 1, PW_ID_LENGTH });
    char *out = foreseen(&t, action_of(id, PAWL_CANCEL));
    (void)snprintf(expected, sizeof expected, "[{\"kind\":\"cancel\",\"instance\":\"%s\"}]", child);
    EXPECT_ASK(out, ".messages", expected);
    EXPECT_ASK(out, "[.closes[].kind]", "[\"child\"]");
    pawl_free(out);
    out = foreseen(&t, action_of(child, PAWL_CANCEL));
    (void)snprintf(expected, sizeof expected, "[{\"kind\":\"child-ended\",\"instance\":\"%s\"}]", id);
    EXPECT_ASK(out, ".messages", expected);
    EXPECT_INT(atomic_load(&t.f.p->post.count), 0);
    EXPECT_SHOW(&t, child, ".token", "1");
    EXPECT_SHOW(&t, id, "[.status, .token]", "[\"waiting\",1]");
    gate_open(&t.f.gate, UINT_MAX);
    idle(&t, id);
    EXPECT_SHOW(&t, id, ".status", "\"completed\"");
    pawl_free(out);
    pawl_free(child);
    pawl_free(id);
    trouble_done(&t);
}

TEST(actions, a_dry_run_remembers_no_key_and_is_held_to_the_token)
{
    trouble t;
    char *out = NULL;
    trouble_init(&t, NULL);
    trouble_open(&t);
    char *id = failed(&t, "bad");
    pawl_act_options dry = action_of(id, PAWL_RETRY), fail = action_of(id, PAWL_FAIL);
    dry.dry_run = 1;
    EXPECT_OK(act(&t, &dry, "k", &out), t.f.err);
    pawl_free(out);
    EXPECT_OK(act(&t, &fail, "k", &out), t.f.err); /* another request, under the same key */
    EXPECT_ASK(out, "[.status, .token, .repeated]", "[\"faulted\",3,false]");
    pawl_free(out);
    out = NULL;
    const pawl_request late = { .struct_size = sizeof late, .actor = "ann", .if_token = 2 };
    EXPECT_INT(pawl_act(t.f.p, &dry, &late, &out, &t.f.err), PAWL_CONFLICT);
    EXPECT_INT(t.f.err.reason, PAWL_REASON_STALE_TOKEN);
    EXPECT_INT(act(&t, &dry, NULL, &out), PAWL_STATE);
    EXPECT_INT(t.f.err.reason, PAWL_REASON_ENDED); /* as the action itself is refused */
    pawl_free(id);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ every action */

/* Fails once at `bad`, whose input is {"n":2}; the context is {"who":"ann"}. */
static char *mendable(trouble *t, const char *name)
{
    static const int statuses[] = { 422 };
    t->statuses = statuses;
    t->status_count = 1;
    t->final = true;
    deploy(&t->f, name,
           "  - before: {set: {n: 2}, export: {as: '${ {who: \"ann\"} }'}}\n"
           "  - bad:\n"
           "      call: work\n"
           "      input: {schema: {document: {type: object, required: [n]}}}\n"
           "      with: {n: '${.n}'}\n"
           "      output: {as: '${ {got: .} }'}\n"
           "  - next: {set: {done: '${.}', by: '${$context.who}'}}\n");
    char *id = start(&t->f, name, NULL);
    idle(t, id);
    EXPECT_SHOW(t, id, "[.status, .data]", "[\"faulted\",{\"context\":{\"who\":\"ann\"},\"input\":{\"n\":2}}]");
    return id;
}

static const struct {
    pawl_act_options options; /* but for the id */
    const char *entry, *resolution, *status, *output;
    unsigned runs; /* of `work`, in all */
} each[] = {
    { { .action = PAWL_RETRY }, "instance.retried", "retried", "\"completed\"",
      "{\"done\":{\"got\":{\"attempt\":1}},\"by\":\"ann\"}", 2 },
    { { .action = PAWL_RETRY, .input = "{\"n\":7}" }, "instance.retried", "retried", "\"completed\"",
      "{\"done\":{\"got\":{\"attempt\":1}},\"by\":\"ann\"}", 2 },
    { { .action = PAWL_SKIP }, "instance.skipped", "skipped", "\"completed\"", "{\"done\":{\"n\":2},\"by\":\"ann\"}", 1 },
    { { .action = PAWL_SKIP, .output = "[1,2]" }, "instance.skipped", "skipped", "\"completed\"",
      "{\"done\":{\"got\":[1,2]},\"by\":\"ann\"}", 1 },
    { { .action = PAWL_GOTO, .task = "/do/2/next" }, "instance.moved", "moved", "\"completed\"",
      "{\"done\":{\"n\":2},\"by\":\"ann\"}", 1 },
    { { .action = PAWL_GOTO, .task = "/do/0/before", .input = "{\"x\":1}" }, "instance.moved", "moved", "\"completed\"",
      "{\"done\":{\"got\":{\"attempt\":1}},\"by\":\"ann\"}", 2 },
    { { .action = PAWL_EDIT, .patch = "[{\"op\":\"replace\",\"path\":\"/context/who\",\"value\":\"bob\"},"
                                      "{\"op\":\"add\",\"path\":\"/input/m\",\"value\":3}]" },
      "instance.edited", NULL, "\"faulted\"", "null", 1 },
    { { .action = PAWL_FAIL }, "instance.failed", "failed", "\"faulted\"", "null", 1 },
    { { .action = PAWL_REWIND, .step = 1 }, "instance.rewound", "rewound", "\"completed\"",
      "{\"done\":{\"got\":{\"attempt\":1}},\"by\":\"ann\"}", 2 },
    { { .action = PAWL_CANCEL }, "instance.cancelled", "cancelled", "\"cancelled\"", "null", 1 },
};

static pawl_act_options each_of(size_t i, const char *id)
{
    pawl_act_options o = each[i].options;
    o.struct_size = sizeof o;
    o.id = id;
    o.reason = "because";
    return o;
}

/* The entries of the step that made the token; to pawl_free. */
static char *entries_of(trouble *t, const char *id, const char *answer)
{
    char expression[80];
    (void)snprintf(expression, sizeof expression, ".steps[%s - 1].entries", ask(answer, ".token"));
    return pw_strdup(pw_str_of(ask_log(t, id, expression)));
}

TEST(actions, each_is_foreseen_exactly_as_it_is_then_done_once_and_told_again)
{
    for (size_t store = 0; store < PW_LENGTH(stores); store++)
        for (size_t i = 0; i < PW_LENGTH(each); i++) {
            trouble t;
            pw_store_counts before, after;
            char *out = NULL, *again = NULL, expression[160], expected[80];
            trouble_init(&t, stores[store]);
            trouble_open(&t);
            char *id = mendable(&t, "mend");
            EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
            char *was = everything(&t, id);
            pw_store_count(t.f.p->store, &before);
            char *dry = foreseen(&t, each_of(i, id));
            pw_store_count(t.f.p->store, &after);
            char *is = everything(&t, id);
            EXPECT_INT(after.commits - before.commits, 0);
            EXPECT_TEXT(is, was);
            EXPECT_INT(trouble_runs(&t), 1);
            const pawl_act_options options = each_of(i, id);
            EXPECT_OK(act(&t, &options, "once", &out), t.f.err);
            EXPECT_ASK(out, "[.token, .repeated]", "[3,false]");
            char *made = entries_of(&t, id, out);
            EXPECT_ASK(dry, ".entries", made);
            char *status = pw_strdup(pw_str_of(ask(out, ".status")));
            EXPECT_ASK(dry, ".status", status);
            EXPECT_ASK(dry, ".diff | length > 0", "true");
            idle(&t, id);
            EXPECT_OK(act(&t, &options, "once", &again), t.f.err);
            char *heard = pw_strdup(pw_str_of(ask(out, "del(.done)"))); /* REWIND: that is told as it is now */
            EXPECT_ASK(again, "del(.done)", heard);
            pawl_free(heard);
            pawl_act_options other = options;
            other.reason = "another";
            EXPECT_INT(act(&t, &other, "once", NULL), PAWL_CONFLICT);
            EXPECT_INT(t.f.err.reason, PAWL_REASON_REQUEST_REUSED);
            EXPECT_SHOW(&t, id, ".status", each[i].status);
            EXPECT_SHOW(&t, id, ".output", each[i].output);
            EXPECT_INT(trouble_runs(&t), each[i].runs);
            (void)snprintf(expression, sizeof expression,
                           "[.steps[] | .actor as $who | .entries[] | select(.type == \"%s\") | [$who, .reason]]", each[i].entry);
            EXPECT_LOG(&t, id, expression, "[[\"ann\",\"because\"]]");
            (void)snprintf(expected, sizeof expected, each[i].resolution ? "[[false,\"%s\"]]" : "[[true,null]]", each[i].resolution);
            EXPECT_INCIDENTS(&t, id, "[.incidents[] | [.open, .resolution]]", expected);
            pawl_free(was);
            pawl_free(is);
            pawl_free(dry);
            pawl_free(out);
            pawl_free(again);
            pawl_free(made);
            pawl_free(status);
            pawl_free(id);
            trouble_done(&t);
        }
}

TEST(actions, what_was_edited_is_shown_and_used_after_a_restart)
{
    trouble t;
    trouble_init(&t, NULL);
    trouble_open(&t);
    char *id = mendable(&t, "mend");
    const pawl_act_options edit = each_of(6, id), retry = action_of(id, PAWL_RETRY);
    char *dry = foreseen(&t, edit);
    EXPECT_ASK(dry, "[.diff[] | select(.path | startswith(\"/data\"))]",
               "[{\"op\":\"replace\",\"path\":\"/data/context/who\",\"value\":\"bob\"},{\"op\":\"add\",\"path\":\"/data/input/m\",\"value\":3}]");
    EXPECT_OK(act(&t, &edit, NULL, NULL), t.f.err);
    EXPECT_SHOW(&t, id, "[.status, .data]", "[\"faulted\",{\"context\":{\"who\":\"bob\"},\"input\":{\"n\":2,\"m\":3}}]");
    trouble_again(&t);
    EXPECT_SHOW(&t, id, "[.status, .data]", "[\"faulted\",{\"context\":{\"who\":\"bob\"},\"input\":{\"n\":2,\"m\":3}}]");
    EXPECT_OK(act(&t, &retry, NULL, NULL), t.f.err);
    idle(&t, id);
    EXPECT_SHOW(&t, id, "[.status, .output.by, has(\"data\")]", "[\"completed\",\"bob\",false]");
    pawl_free(dry);
    pawl_free(id);
    trouble_done(&t);
}

TEST(actions, what_does_not_fit_is_refused_with_a_reason_and_changes_nothing)
{
    trouble t;
    trouble_init(&t, NULL);
    trouble_open(&t);
    char *id = mendable(&t, "mend");
    const size_t size = sizeof(pawl_act_options);
    const struct {
        pawl_act_options options;
        pawl_code code;
        pawl_reason reason;
    } cases[] = {
        { { .struct_size = size, .id = id, .action = PAWL_RETRY, .input = "{}" }, PAWL_INVALID, PAWL_REASON_BAD_ANSWER },
        { { .struct_size = size, .id = id, .action = PAWL_GOTO, .task = "/do/9/no" }, PAWL_INVALID, PAWL_REASON_NONE },
        { { .struct_size = size, .id = id, .action = PAWL_EDIT, .patch = "[{\"op\":\"remove\",\"path\":\"/input/n\"}]" },
          PAWL_INVALID, PAWL_REASON_BAD_ANSWER },
        { { .struct_size = size, .id = id, .action = PAWL_EDIT, .patch = "[{\"op\":\"remove\",\"path\":\"/none\"}]" },
          PAWL_INVALID, PAWL_REASON_NONE },
        { { .struct_size = size, .id = id, .action = PAWL_COMPENSATE }, PAWL_STATE, PAWL_REASON_NO_COMPENSATION },
        { { .struct_size = size, .id = id, .action = PAWL_CONTINUE }, PAWL_STATE, PAWL_REASON_NONE },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        for (int dry = 0; dry < 2; dry++) {
            pawl_act_options o = cases[i].options;
            char *out = NULL;
            o.dry_run = dry;
            pawl_code code = act(&t, &o, NULL, &out);
            if (code != cases[i].code || out)
                fail_msg("case %zu: %d: %s", i, code, t.f.err.message);
            if (cases[i].reason)
                EXPECT_INT(t.f.err.reason, cases[i].reason);
        }
    EXPECT_SHOW(&t, id, "[.status, .token]", "[\"faulted\",2]");
    EXPECT_INT(trouble_runs(&t), 1);
    pawl_free(id);
    trouble_done(&t);
}

/* ------------------------------------------------------------------ calls to the outside */

static const char json[] = "Content-Type: application/json\r\n";

TEST(actions, a_dry_run_sends_no_request_and_names_those_that_would_be)
{
    trouble t;
    trouble_init(&t, NULL);
    service_on(t.s, "/pay", (service_answer){ .status = 400, .times = 1 });
    service_on(t.s, "/pay", (service_answer){ .headers = json, .body = "{\"paid\":true}" });
    trouble_open(&t);
    deploy_call(&t, "pay", "/pay", NULL);
    char *id = start(&t.f, "pay", NULL), expected[200];
    idle(&t, id);
    EXPECT_INT(service_requests(t.s), 1);
    char *same = foreseen(&t, action_of(id, PAWL_RETRY));
    pawl_act_options anew = action_of(id, PAWL_RETRY);
    anew.input = "{}";
    char *other = foreseen(&t, anew), *cancel = foreseen(&t, action_of(id, PAWL_CANCEL));
    (void)snprintf(expected, sizeof expected, "[{\"task\":\"/do/0/pay\",\"method\":\"POST\",\"endpoint\":\"%s\"}]", service_url(t.s, "/pay"));
    EXPECT_ASK(same, "[.calls[] | del(.again)]", expected);
    EXPECT_ASK(other, "[.calls[] | del(.again)]", expected);
    EXPECT_ASK(cancel, ".calls", "[]");
    EXPECT_INT(service_requests(t.s), 1);
    EXPECT_CALLS(&t, id, "[.calls[] | .state]", "[\"failed\"]");
    const pawl_act_options retry = action_of(id, PAWL_RETRY);
    EXPECT_OK(act(&t, &retry, NULL, NULL), t.f.err);
    idle(&t, id);
    EXPECT_SHOW(&t, id, "[.status, .output]", "[\"completed\",{\"paid\":true}]");
    EXPECT_INT(service_requests(t.s), 2);
    pawl_free(same);
    pawl_free(other);
    pawl_free(cancel);
    pawl_free(id);
    trouble_done(&t);
}

TEST(actions, a_call_that_may_have_had_its_effect_is_left_only_by_who_confirms_it)
{
    static const pawl_act_options ways[] = {
        { .action = PAWL_SKIP },
        { .action = PAWL_GOTO, .task = "/do/0/pay" },
        { .action = PAWL_RETRY, .input = "{\"n\":2}" },
    };
    for (size_t i = 0; i < PW_LENGTH(ways); i++) {
        trouble t;
        trouble_init(&t, NULL);
        service_on(t.s, "/pay", (service_answer){ .manner = SERVICE_CLOSE, .times = 1 });
        service_on(t.s, "/pay", (service_answer){ .headers = json, .body = "{\"paid\":true}" });
        trouble_open(&t);
        deploy_call(&t, "pay", "/pay", "{onUnknownOutcome: ask}");
        char *id = start(&t.f, "pay", NULL), *out = NULL;
        idle(&t, id);
        EXPECT_SHOW(&t, id, ".status", "\"faulted\"");
        pawl_act_options o = ways[i];
        o.struct_size = sizeof o;
        o.id = id;
        o.dry_run = 1;
        EXPECT_INT(act(&t, &o, NULL, &out), PAWL_STATE);
        EXPECT_INT(t.f.err.reason, PAWL_REASON_UNKNOWN_OUTCOME);
        o.dry_run = 0;
        EXPECT_INT(act(&t, &o, NULL, NULL), PAWL_STATE);
        EXPECT_INT(t.f.err.reason, PAWL_REASON_UNKNOWN_OUTCOME);
        EXPECT_INT(service_requests(t.s), 1);
        EXPECT_SHOW(&t, id, "[.status, .token]", "[\"faulted\",2]");
        o.confirmed = 1;
        EXPECT_OK(act(&t, &o, NULL, NULL), t.f.err);
        idle(&t, id);
        EXPECT_SHOW(&t, id, ".status", "\"completed\"");
        EXPECT_INT(service_requests(t.s), i == 0 ? 1 : 2);
        if (i == 1)
            EXPECT(strcmp(key_of(&t, 1), key_of(&t, 0)) != 0); /* what is done anew is another effect */
        if (i == 2)
            EXPECT_TEXT(key_of(&t, 1), key_of(&t, 0)); /* the request came out the same: it is the same effect */
        pawl_free(id);
        trouble_done(&t);
    }
}

/* ------------------------------------------------------------------ two at once */

typedef struct operators {
    trouble *t;
    const char *id;
    const size_t *ways; /* of each[], in turn */
    size_t way_count;
    uint64_t if_token;
    pawl_code codes[8];
    bool repeated[8];
    pawl_reason reasons[8];
} operators;

static void act_too(void *context, unsigned number)
{
    operators *o = context;
    pawl_error err = { .code = PAWL_OK };
    char *out = NULL;
    const pawl_act_options options = each_of(o->ways[number % o->way_count], o->id);
    const pawl_request request = { .struct_size = sizeof request, .actor = number % 2 ? "bob" : "ann", .if_token = o->if_token };
    o->codes[number] = pawl_act(o->t->f.p, &options, &request, &out, &err);
    o->repeated[number] = out && strstr(out, "\"repeated\":true");
    o->reasons[number] = err.reason;
    pawl_free(out);
}

#define COMMANDS                                                                                                       \
    "[.steps[].entries[] | select(.type == (\"instance.retried\", \"instance.skipped\", \"instance.moved\", "          \
    "\"instance.failed\", \"instance.cancelled\"))] | length"

TEST(actions, of_operators_who_act_on_one_incident_at_once_one_has_the_effect)
{
    static const size_t same[] = { 3 }, other[] = { 1, 3, 4, 7 }, all[] = { 0, 1, 2, 3, 4, 5, 7, 9 };
    static const struct {
        const size_t *ways;
        size_t count;
        bool named, held; /* by the incident's id; to the token */
    } cases[] = { { same, 1, false, false },  { same, 1, true, false },  { same, 1, false, true }, { other, 4, false, false },
                  { other, 4, true, false }, { other, 4, false, true }, { all, 8, true, true } };
    for (size_t store = 0; store < PW_LENGTH(stores); store++)
        for (size_t i = 0; i < PW_LENGTH(cases); i++) {
            trouble t;
            char incident[64];
            trouble_init(&t, stores[store]);
            trouble_open(&t);
            char *id = mendable(&t, "mend");
            (void)snprintf(incident, sizeof incident, "%s-2", id);
            operators o = { .t = &t, .id = cases[i].named ? incident : id, .ways = cases[i].ways, .way_count = cases[i].count,
                            .if_token = cases[i].held ? 2 : 0 };
            crew_run(8, act_too, &o);
            unsigned good = 0;
            for (int n = 0; n < 8; n++) {
                good += o.codes[n] == PAWL_OK && !o.repeated[n];
                if (o.codes[n] == PAWL_OK) /* a FAIL of what was given up is no second effect */
                    continue;
                if (cases[i].held)
                    EXPECT(o.reasons[n] == PAWL_REASON_STALE_TOKEN || o.reasons[n] == PAWL_REASON_NO_INCIDENT);
                else
                    EXPECT(o.reasons[n] == PAWL_REASON_NO_INCIDENT || o.reasons[n] == PAWL_REASON_ENDED);
                EXPECT_INT(o.codes[n], o.reasons[n] == PAWL_REASON_STALE_TOKEN ? PAWL_CONFLICT : PAWL_STATE);
            }
            EXPECT_INT(good, 1);
            idle(&t, id);
            EXPECT_LOG(&t, id, COMMANDS, "1");
            EXPECT(trouble_runs(&t) <= 2);
            EXPECT_INCIDENTS(&t, id, "[.incidents[] | .open]", "[false]");
            pawl_free(id);
            trouble_done(&t);
        }
}

TEST(actions, of_those_who_edit_what_they_have_seen_one_has_the_effect)
{
    static const size_t edit[] = { 6 };
    trouble t;
    trouble_init(&t, NULL);
    trouble_open(&t);
    char *id = mendable(&t, "mend");
    operators o = { .t = &t, .id = id, .ways = edit, .way_count = 1, .if_token = 2 };
    crew_run(8, act_too, &o);
    unsigned good = 0;
    for (int n = 0; n < 8; n++) {
        good += o.codes[n] == PAWL_OK;
        EXPECT(o.codes[n] == PAWL_OK || o.reasons[n] == PAWL_REASON_STALE_TOKEN);
    }
    EXPECT_INT(good, 1);
    EXPECT_LOG(&t, id, "[.steps[].entries[] | select(.type == \"instance.edited\")] | length", "1");
    pawl_free(id);
    trouble_done(&t);
}

TEST_MAIN()
