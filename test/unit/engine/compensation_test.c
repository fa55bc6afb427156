/* compensation_test.c - what was done is undone, on real stores: the pages of the plan reach who asks for them, it goes on after a
 * restart and after a store that failed, children are compensated by their parents, and the plan is shown as it
 * stands. What core makes of each event is test/unit/core/compensate_test.c. */
#include <limits.h>
#include "trouble.h"
#include "store/memory/memory.h"

static const char *const stores[] = { "memory:", NULL }; /* NULL: a file of SQLite */

/* Task NAME: `echo` of {n}, which `undo` undoes with {n}; `more` (flow YAML) stands beside `call` of the undo. */
#define DOES(name, n, more)                                                                                            \
    "  - " name ": {call: echo, with: {n: " n "}, metadata: {pawl: {compensate: {call: undo, with: {n: '${.n}'}" more  \
    "}}}}\n"
/* The same, whose undo waits at the gate. */
#define WAITS(name) "  - " name ": {call: echo, with: {}, metadata: {pawl: {compensate: {call: gate, with: {}}}}}\n"
#define ASKS "  - ask: {call: userTask, with: {key: ok}}\n"

enum { RUNS_KEPT = 256 };

/* The function `undo`: what it was asked for, in order. */
typedef struct undoing {
    trouble t;
    pthread_mutex_t lock;
    unsigned runs, fails; /* fails: the next ones, for good */
    char inputs[RUNS_KEPT][32], keys[RUNS_KEPT][64];
    pawl_activity_options activity;
    const char *id; /* look_at_row: whose */
    int64_t wake_at;
} undoing;

static pawl_code undo_run(pawl_activity *activity, const char *input, void *context)
{
    undoing *u = context;
    (void)pthread_mutex_lock(&u->lock);
    bool fail = u->fails > 0;
    if (fail)
        u->fails--;
    if (u->runs < RUNS_KEPT) {
        (void)snprintf(u->inputs[u->runs], sizeof u->inputs[0], "%s", input);
        (void)snprintf(u->keys[u->runs], sizeof u->keys[0], "%s", pawl_activity_idempotency_key(activity));
    }
    u->runs++;
    (void)pthread_mutex_unlock(&u->lock);
    return fail ? pawl_activity_fail(activity, 422, "no luck", NULL) : pawl_activity_return(activity, "{}", NULL);
}

static void open_again(undoing *u)
{
    if (u->t.f.p)
        fixture_close(&u->t.f);
    trouble_open(&u->t);
    EXPECT_OK(pawl_register(u->t.f.p, &u->activity, &u->t.f.err), u->t.f.err);
}

static void init(undoing *u, const char *store)
{
    memset(u, 0, sizeof *u);
    trouble_init(&u->t, store);
    (void)pthread_mutex_init(&u->lock, NULL);
    u->activity = (pawl_activity_options){
        .struct_size = sizeof u->activity, .name = "undo", .run = undo_run, .context = u
    };
    open_again(u);
}

static void done(undoing *u)
{
    trouble_done(&u->t);
    (void)pthread_mutex_destroy(&u->lock);
}

/* All runs of `undo` so far, in order: "{"n":2}{"n":1}". */
static const char *undone(undoing *u)
{
    static char text[RUNS_KEPT * 32];
    text[0] = '\0';
    (void)pthread_mutex_lock(&u->lock);
    for (unsigned i = 0, at = 0; i < u->runs && i < RUNS_KEPT; i++)
        at += (unsigned)snprintf(text + at, sizeof text - at, "%s", u->inputs[i]);
    (void)pthread_mutex_unlock(&u->lock);
    return text;
}

static pawl_code act(undoing *u, const char *id, pawl_change action, const char *once, char **out)
{
    const pawl_act_options options = { .struct_size = sizeof options, .id = id, .action = action, .reason = "because" };
    const pawl_request ann = { .struct_size = sizeof ann, .actor = "ann", .idempotency_key = once };
    return pawl_act(u->t.f.p, &options, &ann, out, &u->t.f.err);
}

static void compensate(undoing *u, const char *id)
{
    char *out = NULL;
    EXPECT_OK(act(u, id, PAWL_COMPENSATE, NULL, &out), u->t.f.err);
    EXPECT_ASK(out, "[.status, .repeated]", "[\"compensating\",false]");
    pawl_free(out);
}

static void expect_status(undoing *u, const char *id, const char *status)
{
    char *text = finish(&u->t.f, id);
    EXPECT_ASK(text, ".status", status);
    pawl_free(text);
}

/* The whole plan, page by page, as one list; not more than `ask` can give. */
static char *plan_of(undoing *u, const char *id, uint32_t limit)
{
    char *page = NULL, *all = pw_strdup(PW_LIT("{\"steps\":[],\"without\":[]}")), after[64] = "";
    for (int pages = 0; pages < 100; pages++) {
        pw_buf buf;
        EXPECT_OK(pawl_compensation(u->t.f.p, id, after, limit, &page, &u->t.f.err), u->t.f.err);
        pw_buf_init(&buf, 0);
        pw_buf_printf(&buf, "[%s,%s]", all, page);
        char *both = pw_buf_take(&buf);
        const char *next = ask(page, ".next // \"\"");
        (void)snprintf(after, sizeof after, "%.*s", (int)strlen(next) - 2, next + 1);
        pawl_free(all);
        pawl_free(page);
        all = pw_strdup(pw_str_of(ask(both, ".[1] + {steps: (.[0].steps + .[1].steps), without: (.[0].without + "
                                            ".[1].without)} | del(.next)")));
        pawl_free(both);
        if (!after[0])
            return all;
    }
    fail_msg("the plan has no end");
    return NULL;
}

#define EXPECT_PLAN(u, id, expression, expected)                                                                       \
    do {                                                                                                               \
        char *plan_text = plan_of((u), (id), 0);                                                                       \
        EXPECT_ASK(plan_text, (expression), (expected));                                                               \
        pawl_free(plan_text);                                                                                          \
    } while (0)

/* Steps of the log that were caused by such an event. */
#define CAUSED(event) "[.steps[] | select(.event == \"" event "\")] | length"
#define ENTRIES(kind) "[.steps[].entries[] | select(.type == \"" kind "\")]"

/* ------------------------------------------------------------------ the plan */

TEST(compensation, what_was_done_is_shown_then_undone_in_reverse_order)
{
    for (size_t i = 0; i < PW_LENGTH(stores); i++) {
        undoing u;
        init(&u, stores[i]);
        deploy(&u.t.f, "trip", DOES("a", "1", "") DOES("b", "2", ", metadata: {pawl: {required: false}}")
               "  - other: {call: echo, with: {}}\n" DOES("c", "3", ""));
        char *id = start(&u.t.f, "trip", NULL);
        expect_status(&u, id, "\"completed\"");
        EXPECT_SHOW(&u.t, id, ".undo", "3");
        EXPECT_PLAN(&u, id, "[.id == \"$\", .status, .left, (.steps | length)]", "[false,\"completed\",3,3]");
        EXPECT_PLAN(&u, id, "[.steps[] | [.ordinal, .task, .name, .state, .required, .action, .arguments, .parallel]]",
                    "[[3,\"/do/3/c\",\"c\",\"registered\",true,\"call undo\",{\"n\":3},false],"
                    "[2,\"/do/1/b\",\"b\",\"registered\",false,\"call undo\",{\"n\":2},false],"
                    "[1,\"/do/0/a\",\"a\",\"registered\",true,\"call undo\",{\"n\":1},false]]");
        EXPECT_PLAN(&u, id, "[.steps[] | has(\"completedAt\"), has(\"endedAt\"), has(\"error\"), has(\"whenUnknown\")] | unique", "[false,true]");
        EXPECT_PLAN(&u, id, ".without", "[{\"task\":\"/do/2/other\",\"name\":\"other\",\"visit\":3,\"completedAt\":\"2027-01-15T08:00:00.000Z\"}]");
        EXPECT_INT(u.runs, 0); /* shown only */
        compensate(&u, id);
        expect_status(&u, id, "\"compensated\"");
        EXPECT_TEXT(undone(&u), "{\"n\":3}{\"n\":2}{\"n\":1}");
        EXPECT_PLAN(&u, id, "[.status, .left, [.steps[] | .state], ([.steps[] | has(\"endedAt\")] | all)]",
                    "[\"compensated\",0,[\"done\",\"done\",\"done\"],true]");
        EXPECT_SHOW(&u.t, id, "has(\"undo\")", "false");
        EXPECT_LOG(&u.t, id, ENTRIES("compensation.completed") " | map([.done, .failed, .skipped])", "[[3,0,0]]");
        EXPECT_LOG(&u.t, id, "[.steps[] | select(.event == \"plan\") | .actor] | unique", "[\"system\"]");
        pawl_free(id);
        done(&u);
    }
}

TEST(compensation, what_has_no_way_to_be_undone_is_told_but_not_what_undoes_or_only_reads)
{
    undoing u;
    init(&u, NULL);
    service_on(u.t.s, "/x", (service_answer){ .body = "" });
    char text[2000];
    const char *url = service_url(u.t.s, "/x");
    (void)snprintf(text, sizeof text,
                   "use:\n  functions:\n"
                   "    book: {call: http, with: {method: post, endpoint: '%s'}}\n"
                   "    back: {call: http, with: {method: delete, endpoint: '%s'}}\n"
                   "    away: {do: [{one: {call: back, with: {}}}]}\n"
                   "    send: {call: http, with: {method: post, endpoint: '%s'}}\n"
                   "do:\n"
                   "  - a: {call: book, with: {}, metadata: {pawl: {compensate: {call: back, with: {}}}}}\n"
                   "  - b: {call: book, with: {}, metadata: {pawl: {compensate: {call: away, with: {}}}}}\n"
                   "  - get: {call: http, with: {method: get, endpoint: '%s'}}\n"
                   "  - put: {call: http, with: {method: put, endpoint: '%s'}}\n"
                   "  - send: {call: send, with: {}}\n"
                   "  - tell: {emit: {event: {with: {source: 'http://x', type: x.y}}}}\n"
                   "  - set: {set: {ok: true}}\n",
                   url, url, url, url, url);
    deploy_text(&u.t, "all", text);
    char *id = start(&u.t.f, "all", NULL);
    expect_status(&u, id, "\"completed\"");
    EXPECT_PLAN(&u, id, "[.without[].task]", "[\"/do/3/put\",\"/use/functions/send\",\"/do/5/tell\"]");
    EXPECT_PLAN(&u, id, "[.steps[] | [.name, .action]]", "[[\"b\",\"call away\"],[\"a\",\"call back\"]]");
    compensate(&u, id);
    expect_status(&u, id, "\"compensated\"");
    EXPECT_PLAN(&u, id, "[.without[].task]", "[\"/do/3/put\",\"/use/functions/send\",\"/do/5/tell\"]");
    EXPECT_INT(service_requests(u.t.s), 7);
    pawl_free(id);
    done(&u);
}

TEST(compensation, a_plan_is_read_in_pages_and_a_page_that_cannot_be_is_refused)
{
    static const char *const cursors[] = { "x", "1", "1.", ".1", "1.2.3", "1.2 ", "-1.2", "99999999999999999999999999.999999999999999" };
    undoing u;
    char *out = NULL;
    init(&u, NULL);
    deploy(&u.t.f, "turns",
           "  - turns: {for: {in: '${ [range(7)] }', each: n}, do: [\n"
           "     {one: {call: echo, with: {n: '${ $n }'}, metadata: {pawl: {compensate: {call: undo, with: {n: '${.n}'}}}}}},\n"
           "     {two: {call: echo, with: {}}}]}\n");
    char *id = start(&u.t.f, "turns", NULL);
    expect_status(&u, id, "\"completed\"");
    char *whole = plan_of(&u, id, 0), *pieces = plan_of(&u, id, 2);
    EXPECT_ASK(whole, "[.steps[].arguments.n]", "[6,5,4,3,2,1,0]");
    EXPECT_ASK(whole, "[.without[].visit] | [length, (unique | length)]", "[7,7]");
    EXPECT_TEXT(pieces, whole);
    EXPECT_OK(pawl_compensation(u.t.f.p, id, NULL, 3, &out, &u.t.f.err), u.t.f.err);
    EXPECT_ASK(out, "[(.steps | length), (.without | length), .left]", "[3,3,7]");
    pawl_free(out);
    for (size_t i = 0; i < PW_LENGTH(cursors); i++)
        EXPECT_INT(pawl_compensation(u.t.f.p, id, cursors[i], 0, &out, &u.t.f.err), PAWL_INVALID);
    EXPECT_INT(pawl_compensation(u.t.f.p, id, NULL, 1001, &out, &u.t.f.err), PAWL_INVALID);
    EXPECT_INT(pawl_compensation(u.t.f.p, id, NULL, 0, NULL, &u.t.f.err), PAWL_INVALID);
    EXPECT_INT(pawl_compensation(u.t.f.p, "00000000000000000000000000", NULL, 0, &out, &u.t.f.err), PAWL_NOT_FOUND);
    EXPECT_INT(u.t.f.err.reason, PAWL_REASON_NO_INSTANCE);
    pawl_free(whole);
    pawl_free(pieces);
    pawl_free(id);
    done(&u);
}

TEST(compensation, what_nothing_is_left_of_is_refused_and_what_is_so_is_repeated)
{
    undoing u;
    char *out = NULL;
    init(&u, NULL);
    deploy(&u.t.f, "none", "  - a: {call: echo, with: {}}\n");
    deploy(&u.t.f, "one", DOES("a", "1", ""));
    char *none = start(&u.t.f, "none", NULL), *one = start(&u.t.f, "one", NULL);
    expect_status(&u, none, "\"completed\"");
    expect_status(&u, one, "\"completed\"");
    EXPECT_INT(act(&u, none, PAWL_COMPENSATE, NULL, &out), PAWL_STATE);
    EXPECT_INT(u.t.f.err.reason, PAWL_REASON_NO_COMPENSATION);
    EXPECT_SHOW(&u.t, none, "[.status, .token]", "[\"completed\",2]");
    EXPECT_OK(act(&u, one, PAWL_COMPENSATE, "k", &out), u.t.f.err);
    expect_status(&u, one, "\"compensated\"");
    char *again = NULL, *more = NULL;
    EXPECT_OK(act(&u, one, PAWL_COMPENSATE, "k", &again), u.t.f.err); /* hears what it heard */
    EXPECT_TEXT(again, out);
    EXPECT_OK(act(&u, one, PAWL_COMPENSATE, NULL, &more), u.t.f.err);
    EXPECT_ASK(more, "[.status, .repeated]", "[\"compensated\",true]");
    EXPECT_TEXT(undone(&u), "{\"n\":1}");
    pawl_free(out);
    pawl_free(again);
    pawl_free(more);
    pawl_free(none);
    pawl_free(one);
    done(&u);
}

TEST(compensation, a_dry_run_says_how_much_would_be_undone_and_changes_no_row)
{
    for (size_t i = 0; i < PW_LENGTH(stores); i++) {
        undoing u;
        pw_store_counts before, after;
        init(&u, stores[i]);
        deploy(&u.t.f, "both", DOES("a", "1", "") DOES("b", "2", "") "  - c: {call: failing, with: {}}\n");
        char *id = start(&u.t.f, "both", NULL), *out = NULL;
        expect_status(&u, id, "\"faulted\"");
        EXPECT_OK(pawl_drain(u.t.f.p, WAIT_MS, &u.t.f.err), u.t.f.err);
        char *was = show(&u.t.f, id), *plan = plan_of(&u, id, 0);
        const pawl_act_options dry = {
            .struct_size = sizeof dry, .id = id, .action = PAWL_COMPENSATE, .dry_run = 1
        };
        pw_store_count(u.t.f.p->store, &before);
        EXPECT_OK(pawl_act(u.t.f.p, &dry, NULL, &out, &u.t.f.err), u.t.f.err);
        EXPECT_ASK(out, "[.dryRun, .status, .undo, .repeated]", "[true,\"compensating\",2,false]");
        EXPECT_ASK(out, "[.entries[] | select(.type == \"compensation.started\")] | length", "1");
        EXPECT_ASK(out, "[.diff[] | select(.path == \"/status\") | [.op, .value]]", "[[\"replace\",\"compensating\"]]");
        pw_store_count(u.t.f.p->store, &after);
        EXPECT_INT(after.commits - before.commits, 0);
        char *is = show(&u.t.f, id), *same = plan_of(&u, id, 0);
        EXPECT_TEXT(is, was);
        EXPECT_TEXT(same, plan);
        EXPECT_INT(u.runs, 0);
        pawl_free(out);
        pawl_free(was);
        pawl_free(is);
        pawl_free(plan);
        pawl_free(same);
        pawl_free(id);
        done(&u);
    }
}

/* ------------------------------------------------------------------ pages */

TEST(compensation, a_long_plan_comes_in_pages_and_each_step_is_undone_once)
{
    for (size_t i = 0; i < PW_LENGTH(stores); i++) {
        undoing u;
        init(&u, stores[i]);
        deploy(&u.t.f, "turns",
               "  - turns: {for: {in: '${ [range(100)] }', each: n}, do: [\n"
               "     {one: {call: echo, with: {n: '${ $n }'}, metadata: {pawl: {compensate: {call: undo, with: {n: '${.n}'}}}}}}]}\n");
        char *id = start(&u.t.f, "turns", NULL), last[16], *end = NULL;
        expect_status(&u, id, "\"completed\"");
        compensate(&u, id);
        expect_status(&u, id, "\"compensated\"");
        EXPECT_INT(u.runs, 100);
        for (int n = 0; n < 100; n++) {
            (void)snprintf(last, sizeof last, "{\"n\":%d}", 99 - n);
            EXPECT_TEXT(u.inputs[n], last);
        }
        EXPECT_OK(pawl_compensation(u.t.f.p, id, NULL, 1000, &end, &u.t.f.err), u.t.f.err);
        EXPECT_ASK(end, "[.left, (.steps | length), ([.steps[].state] | unique), has(\"next\")]", "[0,100,[\"done\"],false]");
        pawl_free(end);
        end = steps(&u.t.f, id);
        EXPECT_ASK(end, CAUSED("plan") " | . >= 4 and . <= 8", "true"); /* 32 at most at a time, and half of them are over before the next */
        pawl_free(end);
        pawl_free(id);
        done(&u);
    }
}

TEST(compensation, a_page_that_the_store_does_not_take_is_given_once)
{
    for (uint64_t nth = 1; nth <= 6; nth++) {
        undoing u;
        init(&u, "memory:");
        deploy(&u.t.f, "two", DOES("a", "1", "") DOES("b", "2", ""));
        char *id = start(&u.t.f, "two", NULL);
        expect_status(&u, id, "\"completed\"");
        EXPECT_OK(pawl_drain(u.t.f.p, WAIT_MS, &u.t.f.err), u.t.f.err);
        pw_memory_fail_commit(u.t.f.p->store, nth, nth % 2 == 0);
        EXPECT_OK(act(&u, id, PAWL_COMPENSATE, NULL, NULL), u.t.f.err);
        expect_status(&u, id, "\"compensated\"");
        EXPECT_TEXT(undone(&u), "{\"n\":2}{\"n\":1}");
        EXPECT_LOG(&u.t, id, CAUSED("plan"), "1");
        EXPECT_LOG(&u.t, id, CAUSED("compensate"), "1");
        pawl_free(id);
        done(&u);
    }
}

/* ------------------------------------------------------------------ restarts */

TEST(compensation, what_a_process_leaves_in_the_middle_another_goes_on_with)
{
    undoing u;
    init(&u, NULL);
    deploy(&u.t.f, "trip", DOES("a", "1", "") WAITS("b") DOES("c", "3", "") "  - d: {call: failing, with: {}}\n");
    char *id = start(&u.t.f, "trip", NULL);
    expect_status(&u, id, "\"faulted\"");
    compensate(&u, id);
    gate_wait_entered(&u.t.f.gate, 1);
    EXPECT_PLAN(&u, id, "[.status, .left, [.steps[].state]]", "[\"compensating\",2,[\"done\",\"running\",\"registered\"]]");
    open_again(&u);
    gate_wait_entered(&u.t.f.gate, 2);
    EXPECT_TEXT(u.t.f.gate.keys[1], u.t.f.gate.keys[0]); /* the same effect, asked for once more */
    gate_open(&u.t.f.gate, UINT_MAX);
    expect_status(&u, id, "\"compensated\"");
    EXPECT_TEXT(undone(&u), "{\"n\":3}{\"n\":1}");
    EXPECT_INT(gate_entered(&u.t.f.gate), 2);
    EXPECT_PLAN(&u, id, "[.left, [.steps[].state]]", "[0,[\"done\",\"done\",\"done\"]]");
    EXPECT_INCIDENTS(&u.t, id, "[.incidents[] | [.open, .resolution]]", "[[false,\"compensating\"]]");
    pawl_free(id);
    done(&u);
}

/* Between the commit that asks for a page and the one that has it nothing is in memory that is not in the row. */
static void look_at_row(void *context, const char *report)
{
    undoing *u = context;
    if (!strstr(report, "compensation.started"))
        return;
    pw_arena arena;
    pw_instance_row row;
    pawl_error err;
    pw_arena_init(&arena, 0);
    if (pw_store_instance_get(u->t.f.p->store, pw_str_of(u->id), false, &row, &arena, &err) == PAWL_OK)
        u->wake_at = row.wake_at;
    pw_arena_done(&arena);
}

TEST(compensation, who_asks_for_a_page_has_a_row_that_says_so)
{
    for (size_t i = 0; i < PW_LENGTH(stores); i++) {
        undoing u;
        init(&u, stores[i]);
        u.t.f.options.on_step = look_at_row;
        u.t.f.options.on_step_context = &u;
        open_again(&u);
        deploy(&u.t.f, "two", DOES("a", "1", "") WAITS("b"));
        char *id = start(&u.t.f, "two", NULL);
        expect_status(&u, id, "\"completed\"");
        u.id = id;
        u.wake_at = PW_WAKE_NEVER;
        compensate(&u, id);
        gate_wait_entered(&u.t.f.gate, 1);
        EXPECT_INT(u.wake_at, 0);
        pawl_free(id);
        done(&u);
    }
}

/* ------------------------------------------------------------------ side by side */

TEST(compensation, branches_of_a_fork_are_undone_side_by_side)
{
    undoing u;
    init(&u, NULL);
    deploy(&u.t.f, "fork",
           DOES("first", "1", "")
           "  - all: {fork: {branches: [\n"
           "     {x: {call: echo, with: {}, metadata: {pawl: {compensate: {call: gate, with: {}}}}}},\n"
           "     {y: {call: echo, with: {}, metadata: {pawl: {compensate: {call: gate, with: {}}}}}}]}}\n"
           DOES("last", "2", ""));
    char *id = start(&u.t.f, "fork", NULL);
    expect_status(&u, id, "\"completed\"");
    EXPECT_PLAN(&u, id, "[.steps[] | [.parallel, has(\"branch\")]] | [.[0], .[1], .[2], .[3]]",
                "[[false,false],[true,true],[true,true],[false,false]]");
    compensate(&u, id);
    gate_wait_entered(&u.t.f.gate, 2); /* both, and neither was let go */
    EXPECT_TEXT(undone(&u), "{\"n\":2}");
    EXPECT_PLAN(&u, id, "[.steps[].state]", "[\"done\",\"running\",\"running\",\"registered\"]");
    gate_open(&u.t.f.gate, UINT_MAX);
    expect_status(&u, id, "\"compensated\"");
    EXPECT_TEXT(undone(&u), "{\"n\":2}{\"n\":1}");
    pawl_free(id);
    done(&u);
}

/* ------------------------------------------------------------------ what fails, and what is unknown */

TEST(compensation, a_required_step_that_fails_is_an_incident_and_goes_on_when_it_is_retried)
{
    undoing u;
    init(&u, NULL);
    deploy(&u.t.f, "trip", DOES("a", "1", "") DOES("b", "2", ""));
    char *id = start(&u.t.f, "trip", NULL);
    expect_status(&u, id, "\"completed\"");
    u.fails = 1;
    compensate(&u, id);
    expect_status(&u, id, "\"faulted\"");
    EXPECT_PLAN(&u, id, "[.left, [.steps[].state]]", "[2,[\"running\",\"registered\"]]");
    EXPECT_INCIDENTS(&u.t, id, "[.incidents[] | .open]", "[true]");
    EXPECT_CONTAINS(action(&u.t, id), "pawl compensate --plan");
    open_again(&u);
    EXPECT_OK(act(&u, id, PAWL_RETRY, NULL, NULL), u.t.f.err);
    expect_status(&u, id, "\"compensated\"");
    EXPECT_TEXT(undone(&u), "{\"n\":2}{\"n\":2}{\"n\":1}");
    EXPECT_INCIDENTS(&u.t, id, "[.incidents[] | [.open, .resolution]]", "[[false,\"retried\"]]");
    pawl_free(id);
    done(&u);
}

TEST(compensation, an_optional_step_that_fails_is_let_pass_and_told)
{
    undoing u;
    init(&u, "memory:");
    deploy(&u.t.f, "trip", DOES("a", "1", "") DOES("b", "2", ", metadata: {pawl: {required: false}}"));
    char *id = start(&u.t.f, "trip", NULL);
    expect_status(&u, id, "\"completed\"");
    u.fails = 1;
    compensate(&u, id);
    expect_status(&u, id, "\"compensated\"");
    EXPECT_PLAN(&u, id, "[.left, [.steps[] | [.state, .error.status]]]", "[0,[[\"failed\",422],[\"done\",null]]]");
    pawl_free(id);
    done(&u);
}

TEST(compensation, what_is_in_flight_is_unknown_and_a_person_is_asked)
{
    undoing u;
    init(&u, NULL);
    deploy(&u.t.f, "trip", DOES("a", "1", "")
           "  - b: {call: gate, with: {}, metadata: {pawl: {compensate: {call: undo, with: {n: 2}}}}}\n");
    char *id = start(&u.t.f, "trip", NULL);
    gate_wait_entered(&u.t.f.gate, 1);
    EXPECT_PLAN(&u, id, "[.left, [.steps[] | [.name, .ordinal, .state, .whenUnknown]]]",
                "[2,[[\"b\",null,\"unknown\",\"ask\"],[\"a\",1,\"registered\",null]]]");
    compensate(&u, id);
    expect_status(&u, id, "\"faulted\"");
    EXPECT_INCIDENTS(&u.t, id, "[.incidents[] | [.open, .class]]", "[[true,\"unknown-outcome\"]]");
    EXPECT_TEXT(undone(&u), "");
    EXPECT_PLAN(&u, id, "[.steps[] | [.ordinal, .name]]", "[[2,\"b\"],[1,\"a\"]]");
    open_again(&u);
    EXPECT_INT(act(&u, id, PAWL_RETRY, NULL, NULL), PAWL_STATE);
    EXPECT_INT(u.t.f.err.reason, PAWL_REASON_UNKNOWN_OUTCOME);
    const pawl_act_options sure = {
        .struct_size = sizeof sure, .id = id, .action = PAWL_RETRY, .confirmed = 1
    };
    EXPECT_OK(pawl_act(u.t.f.p, &sure, NULL, NULL, &u.t.f.err), u.t.f.err);
    expect_status(&u, id, "\"compensated\"");
    EXPECT_TEXT(undone(&u), "{\"n\":2}{\"n\":1}");
    EXPECT_PLAN(&u, id, "[.left, [.steps[].state]]", "[0,[\"done\",\"done\"]]");
    pawl_free(id);
    done(&u);
}

TEST(compensation, what_is_unknown_or_fails_can_be_skipped_and_the_rest_is_undone)
{
    undoing u;
    init(&u, "memory:");
    deploy(&u.t.f, "trip", DOES("a", "1", "") DOES("b", "2", "")
           "  - c: {call: gate, with: {}, metadata: {pawl: {compensate: {call: undo, with: {n: 3}}}}}\n");
    char *id = start(&u.t.f, "trip", NULL);
    gate_wait_entered(&u.t.f.gate, 1);
    u.fails = 1;
    compensate(&u, id);
    expect_status(&u, id, "\"faulted\""); /* c is unknown */
    EXPECT_OK(act(&u, id, PAWL_SKIP, NULL, NULL), u.t.f.err);
    expect_status(&u, id, "\"faulted\""); /* b fails */
    EXPECT_OK(act(&u, id, PAWL_SKIP, NULL, NULL), u.t.f.err);
    expect_status(&u, id, "\"compensated\"");
    EXPECT_TEXT(undone(&u), "{\"n\":2}{\"n\":1}");
    EXPECT_PLAN(&u, id, "[.left, [.steps[] | [.name, .state]]]", "[0,[[\"c\",\"skipped\"],[\"b\",\"skipped\"],[\"a\",\"done\"]]]");
    EXPECT_INCIDENTS(&u.t, id, "[.incidents[] | [.open, .resolution]]", "[[false,\"skipped\"],[false,\"skipped\"]]");
    pawl_free(id);
    done(&u);
}

/* It was given up in the middle: what is left is still there, and can be gone on with, even by another process. */
TEST(compensation, one_that_was_given_up_goes_on_with_what_is_left)
{
    undoing u;
    init(&u, NULL);
    deploy(&u.t.f, "trip", DOES("a", "1", "") DOES("b", "2", "") DOES("c", "3", ""));
    char *id = start(&u.t.f, "trip", NULL);
    expect_status(&u, id, "\"completed\"");
    u.fails = 1;
    compensate(&u, id);
    expect_status(&u, id, "\"faulted\"");
    EXPECT_OK(act(&u, id, PAWL_FAIL, NULL, NULL), u.t.f.err);
    EXPECT_SHOW(&u.t, id, "[.status, has(\"incident\"), .undo]", "[\"faulted\",false,3]");
    open_again(&u);
    compensate(&u, id);
    expect_status(&u, id, "\"compensated\"");
    EXPECT_TEXT(undone(&u), "{\"n\":3}{\"n\":3}{\"n\":2}{\"n\":1}");
    EXPECT_TEXT(u.keys[1], u.keys[0]); /* the same effect, whoever asks for it */
    pawl_free(id);
    done(&u);
}

/* ------------------------------------------------------------------ children */

#define RUN(name) "{workflow: {namespace: test, name: " name ", version: 1.0.0}}"

static char *child_of(undoing *u, const char *parent)
{
    const char *quoted = ask_log(&u->t, parent, "[.steps[].entries[] | select(.type == \"task.started\") | .child] | add");
    EXPECT_INT(strlen(quoted), PW_ID_LENGTH + 2);
    return pw_strdup((pw_str){ quoted + 1, PW_ID_LENGTH });
}

TEST(compensation, a_child_is_compensated_by_its_parent_in_its_turn)
{
    for (size_t i = 0; i < PW_LENGTH(stores); i++) {
        undoing u;
        init(&u, stores[i]);
        deploy(&u.t.f, "part", DOES("x", "10", "") DOES("y", "11", ""));
        deploy(&u.t.f, "whole", DOES("a", "1", "") "  - sub: {run: " RUN("part") "}\n" DOES("b", "2", ""));
        char *id = start(&u.t.f, "whole", NULL);
        expect_status(&u, id, "\"completed\"");
        char *child = child_of(&u, id), expected[64];
        EXPECT_PLAN(&u, id, "[.steps[] | [.name, has(\"child\")]]", "[[\"b\",false],[\"sub\",true],[\"a\",false]]");
        (void)snprintf(expected, sizeof expected, "\"compensate the child %s\"", child);
        EXPECT_PLAN(&u, id, ".steps[1].action", expected);
        compensate(&u, id);
        expect_status(&u, id, "\"compensated\"");
        expect_status(&u, child, "\"compensated\"");
        EXPECT_TEXT(undone(&u), "{\"n\":2}{\"n\":11}{\"n\":10}{\"n\":1}");
        EXPECT_LOG(&u.t, child, CAUSED("compensate"), "1");
        EXPECT_LOG(&u.t, child, "[.steps[] | select(.event == \"compensate\") | .entries[] | select(.type == \"compensation.started\")] | length", "1");
        EXPECT_PLAN(&u, id, "[.left, [.steps[].state]]", "[0,[\"done\",\"done\",\"done\"]]");
        pawl_free(child);
        pawl_free(id);
        done(&u);
    }
}

TEST(compensation, a_child_that_did_nothing_or_was_compensated_before_holds_nobody_up)
{
    undoing u;
    init(&u, NULL);
    deploy(&u.t.f, "idle", "  - x: {set: {ok: true}}\n");
    deploy(&u.t.f, "part", DOES("x", "10", ""));
    deploy(&u.t.f, "one", DOES("a", "1", "") "  - sub: {run: " RUN("idle") "}\n");
    deploy(&u.t.f, "two", DOES("a", "2", "") "  - sub: {run: " RUN("part") "}\n");
    char *one = start(&u.t.f, "one", NULL), *two = start(&u.t.f, "two", NULL);
    expect_status(&u, one, "\"completed\"");
    expect_status(&u, two, "\"completed\"");
    char *child = child_of(&u, two);
    compensate(&u, child);
    expect_status(&u, child, "\"compensated\"");
    compensate(&u, one);
    expect_status(&u, one, "\"compensated\"");
    compensate(&u, two);
    expect_status(&u, two, "\"compensated\"");
    EXPECT_TEXT(undone(&u), "{\"n\":10}{\"n\":1}{\"n\":2}");
    pawl_free(child);
    pawl_free(one);
    pawl_free(two);
    done(&u);
}

TEST(compensation, a_child_that_is_not_there_any_more_is_an_incident_of_its_parent)
{
    undoing u;
    init(&u, NULL);
    deploy(&u.t.f, "part", DOES("x", "10", ""));
    deploy(&u.t.f, "whole", DOES("a", "1", "") "  - sub: {run: " RUN("part") "}\n");
    char *id = start(&u.t.f, "whole", NULL);
    expect_status(&u, id, "\"completed\"");
    char *child = child_of(&u, id);
    EXPECT_OK(pawl_delete(u.t.f.p, child, NULL, &u.t.f.err), u.t.f.err);
    compensate(&u, id);
    expect_status(&u, id, "\"faulted\"");
    EXPECT_SHOW(&u.t, id, ".incident | has(\"id\")", "true");
    EXPECT_LOG(&u.t, id, "[.steps[].entries[] | select(.error.status == 404) | .error.title] | unique",
               "[\"the child cannot be compensated: it is not there any more\"]");
    EXPECT_INT(u.runs, 0);
    pawl_free(child);
    pawl_free(id);
    done(&u);
}

TEST(compensation, a_child_goes_on_being_compensated_over_a_restart_and_its_parent_hears_of_it)
{
    undoing u;
    init(&u, NULL);
    deploy(&u.t.f, "part", DOES("x", "10", "") WAITS("y"));
    deploy(&u.t.f, "whole", DOES("a", "1", "") "  - sub: {run: " RUN("part") "}\n" ASKS);
    char *id = start(&u.t.f, "whole", NULL);
    idle(&u.t, id);
    EXPECT_SHOW(&u.t, id, ".status", "\"waiting\"");
    char *child = child_of(&u, id);
    compensate(&u, id);
    gate_wait_entered(&u.t.f.gate, 1);
    EXPECT_SHOW(&u.t, child, ".status", "\"compensating\"");
    open_again(&u);
    gate_open(&u.t.f.gate, UINT_MAX);
    expect_status(&u, id, "\"compensated\"");
    expect_status(&u, child, "\"compensated\"");
    EXPECT_TEXT(undone(&u), "{\"n\":10}{\"n\":1}");
    pawl_free(child);
    pawl_free(id);
    done(&u);
}

/* ------------------------------------------------------------------ triggers and tasks */

TEST(compensation, a_definition_undoes_on_fault_on_cancel_and_by_a_task)
{
    undoing u;
    init(&u, NULL);
    pawl_error err;
    const char *texts[] = {
        "document: {dsl: 1.0.0, namespace: test, name: onfault, version: 1.0.0, metadata: {pawl: {compensation: {on: [faulted]}}}}\n"
        "do:\n" DOES("a", "1", "") "  - b: {call: failing, with: {}}\n",
        "document: {dsl: 1.0.0, namespace: test, name: oncancel, version: 1.0.0, metadata: {pawl: {compensation: {on: [cancelled]}}}}\n"
        "do:\n" DOES("a", "2", "") ASKS,
        "document: {dsl: 1.0.0, namespace: test, name: task, version: 1.0.0}\n"
        "do:\n" DOES("a", "3", "") DOES("b", "4", "") "  - back: {call: compensate, with: {}}\n",
    };
    for (size_t i = 0; i < PW_LENGTH(texts); i++)
        EXPECT_OK(pawl_deploy(u.t.f.p, texts[i], strlen(texts[i]), NULL, NULL, NULL, &err), err);
    char *fault = start(&u.t.f, "onfault", NULL);
    expect_status(&u, fault, "\"compensated\"");
    EXPECT_SHOW(&u.t, fault, "[.error.status, has(\"incident\")]", "[422,false]");
    char *cancel = start(&u.t.f, "oncancel", NULL);
    idle(&u.t, cancel);
    EXPECT_OK(act(&u, cancel, PAWL_CANCEL, NULL, NULL), u.t.f.err);
    expect_status(&u, cancel, "\"compensated\"");
    char *task = start(&u.t.f, "task", NULL);
    expect_status(&u, task, "\"completed\"");
    EXPECT_SHOW(&u.t, task, ".output", "{\"done\":2,\"failed\":0,\"skipped\":0}");
    EXPECT_TEXT(undone(&u), "{\"n\":1}{\"n\":2}{\"n\":4}{\"n\":3}");
    pawl_free(fault);
    pawl_free(cancel);
    pawl_free(task);
    done(&u);
}

/* ------------------------------------------------------------------ operators */

typedef struct operators {
    undoing *u;
    const char *id;
    pawl_code codes[8];
    bool repeated[8];
} operators;

static void compensate_too(void *context, unsigned number)
{
    operators *o = context;
    pawl_error err;
    char *out = NULL;
    const pawl_act_options options = { .struct_size = sizeof options, .id = o->id, .action = PAWL_COMPENSATE };
    o->codes[number] = pawl_act(o->u->t.f.p, &options, NULL, &out, &err);
    o->repeated[number] = out && strstr(out, "\"repeated\":true");
    pawl_free(out);
}

TEST(compensation, of_operators_who_compensate_at_once_one_has_the_effect)
{
    for (size_t i = 0; i < PW_LENGTH(stores); i++) {
        undoing u;
        init(&u, stores[i]);
        deploy(&u.t.f, "trip", DOES("a", "1", "") DOES("b", "2", ""));
        char *id = start(&u.t.f, "trip", NULL);
        expect_status(&u, id, "\"completed\"");
        operators o = { .u = &u, .id = id };
        crew_run(8, compensate_too, &o);
        unsigned first = 0;
        for (int n = 0; n < 8; n++) {
            EXPECT_INT(o.codes[n], PAWL_OK);
            first += !o.repeated[n];
        }
        EXPECT_INT(first, 1);
        expect_status(&u, id, "\"compensated\"");
        EXPECT_TEXT(undone(&u), "{\"n\":2}{\"n\":1}");
        EXPECT_LOG(&u.t, id, ENTRIES("compensation.started") " | length", "1");
        pawl_free(id);
        done(&u);
    }
}

TEST_MAIN()
