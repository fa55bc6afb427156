/* child_test.c - instances start others: what each hears of the other, once, also where rows are
 * read twice, left behind, or can have no effect. */
#include <limits.h>
#include "fixture.h"
#include "store/store.h"

#define RUN(name) "{workflow: {namespace: test, name: " name ", version: latest}}"

static const char echo_flow[] = "  - one: {call: echo, with: {got: '${ .n }'}}";
static const char asks[] = "  - ask: {call: userTask, with: {key: ok, title: Approve}}";

/* The id of the only child that the log of `parent` tells of. */
static char *child_of(fixture *f, const char *parent)
{
    char *text = steps(f, parent);
    EXPECT_ASK(text, "[.steps[].entries[] | select(.type == \"task.started\" and .child)] | length",
               "1");
    const char *quoted =
        ask(text, "[.steps[].entries[] | select(.type == \"task.started\") | .child] | add");
    EXPECT_INT(strlen(quoted), PW_ID_LENGTH + 2);
    char *id = pw_strdup((pw_str){ quoted + 1, PW_ID_LENGTH });
    pawl_free(text);
    return id;
}

/* Until only somebody outside can move it. */
static void settle(fixture *f, const char *id)
{
    EXPECT_OK(pawl_wait(f->p, id, PAWL_WAIT_SETTLED, WAIT_MS, NULL, &f->err), f->err);
}

static void drain(fixture *f)
{
    EXPECT_OK(pawl_drain(f->p, WAIT_MS, &f->err), f->err);
}

static void expect_status(fixture *f, const char *id, const char *status)
{
    char *text = show(f, id);
    EXPECT_ASK(text, ".status", status);
    pawl_free(text);
}

/* Until a row was left: its step is committed, and seen, before it is acted upon. */
static void wait_left(fixture *f)
{
    const uint64_t deadline = pw_monotonic_ns() + WAIT_MS * UINT64_C(1000000);
    while (!pw_letters_left(f->p)) {
        if (pw_monotonic_ns() > deadline)
            fail_msg("no row was left");
        (void)nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
    }
}

static int64_t living(fixture *f, const char *status, const char *name)
{
    pawl_list_options options = {
        .struct_size = sizeof options, .status = status, .name = name, .limit = 1000
    };
    char *text = NULL;
    EXPECT_OK(pawl_list(f->p, &options, &text, &f->err), f->err);
    int64_t count = strtol(ask(text, ".instances | length"), NULL, 10);
    pawl_free(text);
    return count;
}

static void expect_inbox_empty(fixture *f)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_inbox_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(
        pw_store_inbox_pending(f->p->store, PW_ALL_PARTITIONS, 10, &rows, &count, &arena, &f->err),
        f->err);
    EXPECT_INT(count, 0);
    EXPECT_INT(atomic_load(&f->p->post.count), 0);
    EXPECT_INT(atomic_load(&f->p->post.bytes), 0);
    pw_arena_done(&arena);
}

static void publish(fixture *f, const char *name, const char *version, const char *body)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_printf(&buf, "document: {dsl: 1.0.0, namespace: test, name: %s, version: %s}\ndo:\n%s\n",
                  name, version, body);
    EXPECT_OK(pawl_deploy(f->p, buf.ptr, buf.len, NULL, NULL, NULL, &f->err), f->err);
    pw_buf_done(&buf);
}

/* ------------------------------------------------------------------ well */

TEST(child, its_output_is_that_of_the_task)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "echo", echo_flow);
    deploy(&f, "parent",
           "  - sub: {run: {workflow: {namespace: test, name: echo, version: 1.0.0,\n"
           "                           input: {n: '${ .n }'}}}}");
    char *id = start(&f, "parent", "{\"n\":1.50}");
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output]", "[\"completed\",{\"got\":1.50}]");
    EXPECT_ASK(text, "has(\"parent\")", "false");
    pawl_free(text);
    char *child = child_of(&f, id);
    text = finish(&f, child);
    EXPECT_ASK(text, "[.name, .status, .version]", "[\"echo\",\"completed\",\"1.0.0\"]");
    EXPECT_ASK(text, ".input", "{\"n\":1.50}");
    char expected[64];
    (void)snprintf(expected, sizeof expected, "[\"%s\",\"%s\"]", id, id);
    EXPECT_ASK(text, "[.parent, .correlation]", expected);
    pawl_free(text);
    text = steps(&f, id);
    EXPECT_ASK(text, "[.steps[].event]", "[\"start\",\"child-ended\"]");
    pawl_free(text);
    drain(&f);
    expect_inbox_empty(&f);
    pawl_free(child);
    pawl_free(id);
    fixture_done(&f);
}

TEST(child, that_waits_is_shown_by_its_parent)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "asks", asks);
    deploy(&f, "parent", "  - sub: {run: " RUN("asks") "}");
    char *id = start(&f, "parent", NULL);
    settle(&f, id); /* also the child: it is there, and waits for a person */
    char *child = child_of(&f, id), expected[128];
    char *text = show(&f, id);
    (void)snprintf(expected, sizeof expected, "[[\"child\",\"/do/0/sub\",\"%s\",\"test/asks\"]]",
                   child);
    EXPECT_ASK(text, "[.waits[] | [.kind, .task, .child, .workflow]]", expected);
    pawl_free(text);
    expect_status(&f, child, "\"waiting\"");
    EXPECT_OK(pawl_resume(f.p, child, "ok", "{\"yes\":true}", "ann", &f.err), f.err);
    text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output.yes, .output.completedBy, .waits]",
               "[\"completed\",true,\"ann\",[]]");
    pawl_free(text);
    pawl_free(child);
    pawl_free(id);
    fixture_done(&f);
}

TEST(child, children_of_children_hand_their_output_up)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "leaf", "  - s: {set: '${ {d: ((.d // 0) + 1)} }'}");
    deploy(&f, "middle", "  - sub: {run: " RUN("leaf") "}\n  - sub2: {run: " RUN("leaf") "}");
    deploy(&f, "parent", "  - sub: {run: " RUN("middle") "}\n  - sub2: {run: " RUN("middle") "}");
    char *id = start(&f, "parent", "{}");
    char *text = finish(&f, id);
    EXPECT_ASK(text, ".output", "{\"d\":4}");
    pawl_free(text);
    pawl_free(id);
    drain(&f);
    EXPECT_INT(living(&f, "completed", NULL), 7);
    fixture_done(&f);
}

TEST(child, the_latest_version_is_that_of_its_start)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    publish(&f, "sub", "1.9.0", "  - s: {set: {v: 19}}");
    publish(&f, "sub", "1.10.0", "  - s: {set: {v: 110}}");
    publish(&f, "sub", "2.0.0", "  - s: {set: {v: 2}}");
    EXPECT_OK(pawl_definition_status(f.p, "test/sub", "2.0.0", "deprecated", &f.err), f.err);
    deploy(&f, "parent", "  - sub: {run: " RUN("sub") "}");
    char *id = start(&f, "parent", NULL);
    char *text = finish(&f, id), *child = child_of(&f, id);
    EXPECT_ASK(text, ".output", "{\"v\":110}");
    pawl_free(text);
    text = show(&f, child);
    EXPECT_ASK(text, ".version", "\"1.10.0\"");
    pawl_free(text);
    pawl_free(child);
    pawl_free(id);
    /* one that is deprecated starts if it is named */
    publish(&f, "parent", "1.1.0",
            "  - sub: {run: {workflow: {namespace: test, name: sub, version: 2.0.0}}}");
    id = start(&f, "parent", NULL);
    text = finish(&f, id);
    EXPECT_ASK(text, ".output", "{\"v\":2}");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ many */

TEST(child, a_thousand_that_nobody_waits_for_all_run)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "leaf", "  - s: {set: {x: 1}}");
    deploy(&f, "parent",
           "  - l: {for: {in: '[range(1000)]'}, do: [ {a: {run: {workflow: {namespace: test,\n"
           "       name: leaf, version: latest, input: {n: '${ $item }'}}, await: false}}} ]}");
    pw_store_counts before, after;
    pw_store_count(f.p->store, &before);
    char *id = start(&f, "parent", NULL);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .token]", "[\"completed\",2]"); /* a step holds 1000 tasks */
    pawl_free(text);
    drain(&f);
    EXPECT_INT(living(&f, "completed", "leaf"), 1000);
    pw_store_count(f.p->store, &after);
    EXPECT(after.commits - before.commits < 200);
    expect_inbox_empty(&f);
    pawl_free(id);
    fixture_done(&f);
}

TEST(child, a_fork_joins_a_hundred)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "leaf", "  - one: {call: echo, with: {n: '${ .n }'}}\n  - s: {set: '${ .n }'}");
    pw_buf body;
    pw_buf_init(&body, 0);
    pw_buf_text(&body, "  - f: {fork: {branches: [\n");
    for (int i = 0; i < 100; i++)
        pw_buf_printf(&body,
                      "      {b%d: {run: {workflow: {namespace: test, name: leaf, version: latest, "
                      "input: {n: %d}}}}},\n",
                      i, i);
    pw_buf_text(&body, "    ]}, output: {as: add}}");
    pw_buf_char(&body, '\0');
    deploy(&f, "parent", body.ptr);
    pw_buf_done(&body);
    char *id = start(&f, "parent", NULL);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output]", "[\"completed\",4950]");
    pawl_free(text);
    pawl_free(id);
    drain(&f);
    expect_inbox_empty(&f);
    fixture_done(&f);
}

TEST(child, rows_for_which_there_is_no_room_are_read_when_there_is)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "leaf", "  - s: {set: {x: 1}}");
    deploy(&f, "parent", "  - sub: {run: " RUN("leaf") "}");
    drain(&f); /* the recovery's first round is over: it would read the rows, which needs no room */
    atomic_fetch_add(&f.p->post.count, PW_LETTERS_MAX);
    char *id = start(&f, "parent", NULL);
    expect_status(&f, id, "\"waiting\"");
    wait_left(&f);
    EXPECT_INT(living(&f, NULL, "leaf"), 0);
    atomic_fetch_sub(&f.p->post.count, PW_LETTERS_MAX);
    pw_letter_left(f.p); /* as whoever frees a letter does */
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output]", "[\"completed\",{\"x\":1}]");
    pawl_free(text);
    pawl_free(id);
    drain(&f);
    EXPECT(!pw_letters_left(f.p));
    expect_inbox_empty(&f);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ badly */

TEST(child, whose_fault_the_parent_catches_is_faulted_all_the_same)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "bad", "  - r: {raise: {error: {type: 'urn:x', status: 418, title: tea}}}");
    deploy(
        &f, "parent",
        "  - t: {try: [ {sub: {run: " RUN("bad") "}} ],\n"
                                                 "        catch: {errors: {with: {type: 'urn:x'}}, "
                                                 "as: e, do: [ {s: {set: {e: '${ $e }'}}} ]}}");
    char *id = start(&f, "parent", NULL);
    char *text = finish(&f, id), *child = child_of(&f, id);
    EXPECT_ASK(
        text, "[.status, .output.e]",
        "[\"completed\",{\"type\":\"urn:x\",\"status\":418,\"title\":\"tea\",\"instance\":\"/do/"
        "0/t/try/0/sub/do/0/r\"}]");
    pawl_free(text);
    expect_status(&f, child, "\"faulted\"");
    pawl_free(child);
    pawl_free(id);
    fixture_done(&f);
}

TEST(child, that_cannot_be_started_is_an_error_of_the_task)
{
    static const struct {
        const char *name, *version, *message;
    } rows[] = {
        { "nothing", "latest", "there is no workflow 'test/nothing'" },
        { "old", "9.9.9", "there is no workflow 'test/old' of version 9.9.9" },
        { "old", "1.0.0", "is archived and cannot be started" },
        { "old", "latest", "no version is published" },
    };
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "old", echo_flow);
    EXPECT_OK(pawl_definition_status(f.p, "test/old", "1.0.0", "archived", &f.err), f.err);
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        char name[20], body[300];
        (void)snprintf(name, sizeof name, "parent%zu", i);
        (void)snprintf(body, sizeof body,
                       "  - t: {try: [ {a: {run: {workflow: {namespace: test, name: %s, version: "
                       "%s}}}} ], catch: {as: e, do: [ {s: {set: {e: '${ $e }'}}} ]}}",
                       rows[i].name, rows[i].version);
        deploy(&f, name, body);
        char *id = start(&f, name, NULL);
        char *text = finish(&f, id);
        EXPECT_ASK(text, "[.output.e | .status, .title, .instance]",
                   "[400,\"the workflow cannot be started\",\"/do/0/t/try/0/a\"]");
        EXPECT_CONTAINS(ask(text, ".output.e.type"), "errors/configuration");
        EXPECT_CONTAINS(ask(text, ".output.e.detail"), rows[i].message);
        pawl_free(text);
        char *child = child_of(&f, id);
        EXPECT_INT(pawl_show(f.p, child, &text, &f.err), PAWL_NOT_FOUND);
        pawl_free(child);
        pawl_free(id);
    }
    drain(&f);
    expect_inbox_empty(&f);
    fixture_done(&f);
}

TEST(child, that_cannot_be_started_is_noted_where_nobody_waits)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "parent",
           "  - a: {run: {workflow: {namespace: test, name: nothing, version: latest}, await: "
           "false}}");
    char *id = start(&f, "parent", NULL);
    char *text = finish(&f, id);
    EXPECT_ASK(text, ".status", "\"completed\"");
    pawl_free(text);
    drain(&f);
    text = steps(&f, id);
    EXPECT_ASK(text, "[.steps[1].entries[] | [.type, .error.title]]",
               "[[\"child.late\",\"the workflow cannot be started\"]]");
    pawl_free(text);
    expect_inbox_empty(&f);
    pawl_free(id);
    fixture_done(&f);
}

TEST(child, that_runs_itself_ends_at_the_limit_of_depth)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "self", "  - sub: {run: " RUN("self") "}");
    char *id = start(&f, "self", NULL);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .error.title]",
               "[\"faulted\",\"workflows run each other too deep\"]");
    EXPECT_ASK(text, ".error.instance | split(\"/do/0/sub\") | length", "66");
    pawl_free(text);
    pawl_free(id);
    EXPECT_INT(living(&f, "faulted", "self"), 65);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ commands */

TEST(child, is_cancelled_with_its_parent_and_left_if_it_is_to_be)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "asks", asks);
    deploy(&f, "middle", "  - sub: {run: " RUN("asks") "}");
    deploy(&f, "parent", "  - sub: {run: " RUN("middle") "}");
    deploy(&f, "leaves",
           "  - sub: {run: " RUN("middle") ", metadata: {pawl: {parentClose: leave}}}");
    char *id = start(&f, "parent", NULL), *leaves = start(&f, "leaves", NULL);
    settle(&f, id);
    settle(&f, leaves);
    char *child = child_of(&f, id), *left = child_of(&f, leaves);
    char *leaf = child_of(&f, child), *left_leaf = child_of(&f, left);
    EXPECT_OK(pawl_cancel(f.p, id, "ann", "no more", &f.err), f.err);
    EXPECT_OK(pawl_cancel(f.p, leaves, "ann", "no more", &f.err), f.err);
    drain(&f);
    expect_status(&f, child, "\"cancelled\"");
    expect_status(&f, leaf, "\"cancelled\"");
    expect_status(&f, left, "\"waiting\"");
    expect_status(&f, left_leaf, "\"waiting\"");
    char *text = steps(&f, child);
    EXPECT_ASK(text, "[.steps[-1].entries[] | select(.type == \"instance.cancelled\") | .reason]",
               "[\"its parent does not wait for it any more\"]");
    pawl_free(text);
    text = show(&f, id);
    EXPECT_ASK(text, ".token", "2"); /* a child that it cancels tells it nothing */
    pawl_free(text);
    EXPECT_OK(pawl_resume(f.p, left_leaf, "ok", "{}", "ann", &f.err), f.err);
    drain(&f);
    expect_status(&f, left, "\"completed\"");
    text = steps(&f, leaves);
    EXPECT_ASK(text, "[.steps[-1].entries[].type]", "[\"child.late\"]");
    pawl_free(text);
    expect_inbox_empty(&f);
    pawl_free(left_leaf);
    pawl_free(leaf);
    pawl_free(left);
    pawl_free(child);
    pawl_free(leaves);
    pawl_free(id);
    fixture_done(&f);
}

TEST(child, that_is_cancelled_is_an_error_of_the_task)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "asks", asks);
    deploy(&f, "parent", "  - sub: {run: " RUN("asks") "}");
    char *id = start(&f, "parent", NULL);
    settle(&f, id);
    char *child = child_of(&f, id);
    EXPECT_OK(pawl_cancel(f.p, child, "ann", "no more", &f.err), f.err);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .error.status, .error.title, .error.instance]",
               "[\"faulted\",500,\"the child workflow was cancelled\",\"/do/0/sub\"]");
    pawl_free(text);
    pawl_free(child);
    pawl_free(id);
    fixture_done(&f);
}

TEST(child, result_waits_for_a_parent_that_is_suspended)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "asks", asks);
    deploy(&f, "parent", "  - sub: {run: " RUN("asks") "}");
    char *id = start(&f, "parent", NULL);
    settle(&f, id);
    char *child = child_of(&f, id);
    EXPECT_OK(pawl_suspend(f.p, id, "ann", NULL, &f.err), f.err);
    settle(&f, id); /* it is suspended, whatever its child does */
    EXPECT_OK(pawl_resume(f.p, child, "ok", "{\"yes\":1}", "ann", &f.err), f.err);
    drain(&f);
    expect_status(&f, child, "\"completed\"");
    expect_status(&f, id, "\"suspended\"");
    EXPECT_OK(pawl_continue(f.p, id, "ann", NULL, &f.err), f.err);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output.yes]", "[\"completed\",1]");
    pawl_free(text);
    pawl_free(child);
    pawl_free(id);
    fixture_done(&f);
}

TEST(child, waiting_for_what_is_not_idle_waits_for_its_children)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "gated", "  - g: {call: gate, with: {}}\n  - w: {wait: {days: 1}}");
    deploy(&f, "parent", "  - sub: {run: " RUN("gated") "}");
    char *id = start(&f, "parent", NULL);
    gate_wait_entered(&f.gate, 1);
    EXPECT_INT(pawl_wait(f.p, id, PAWL_WAIT_IDLE, 0, NULL, &f.err), PAWL_TIMEOUT);
    EXPECT_INT(pawl_wait(f.p, id, PAWL_WAIT_SETTLED, 1, NULL, &f.err), PAWL_TIMEOUT);
    gate_open(&f.gate, UINT_MAX);
    EXPECT_OK(pawl_wait(f.p, id, PAWL_WAIT_IDLE, WAIT_MS, NULL, &f.err), f.err);
    char *child = child_of(&f, id), *text = show(&f, child);
    EXPECT_ASK(text, "[.waits[].kind]", "[\"timer\"]");
    pawl_free(text);
    pawl_free(child);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ rows again */

/* Sends the row once more, as a recovery does that has read it before it was consumed. */
static void send_again(fixture *f, const char *target, const char *key)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_inbox_row row;
    pw_letter *letter = NULL;
    EXPECT_OK(
        pw_store_inbox_get(f->p->store, pw_str_of(target), pw_str_of(key), &row, &arena, &f->err),
        f->err);
    EXPECT(row.consumed_step > 0);
    EXPECT_OK(pw_letter_new(&letter, f->p, &row, true, &f->err), f->err);
    EXPECT_OK(pw_reply_init(&letter->command.reply, &f->err), f->err);
    pw_letter_send(letter);
    EXPECT(pw_reply_wait(&letter->command.reply, UINT64_MAX));
    pw_reply_done(&letter->command.reply);
    EXPECT_INT(letter->command.code, PAWL_OK);
    EXPECT(!pw_letter_lost(letter));
    pw_letter_free(letter);
    pw_arena_done(&arena);
}

TEST(letter, of_a_row_that_was_consumed_changes_nothing)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "asks", asks);
    deploy(&f, "parent",
           "  - sub: {run: " RUN("asks") "}\n  - ask: {call: userTask, with: {key: k}}");
    char *id = start(&f, "parent", NULL);
    settle(&f, id);
    char *child = child_of(&f, id), key[40];
    send_again(&f, child, "start"); /* in memory */
    EXPECT_OK(pawl_resume(f.p, child, "ok", "{}", "ann", &f.err), f.err);
    settle(&f, id);
    (void)snprintf(key, sizeof key, "child-%s", child);
    send_again(&f, child, "start"); /* ended, and in memory no more */
    send_again(&f, id, key);
    fixture_close(&f);
    fixture_open(&f);
    send_again(&f, id, key); /* not loaded */
    send_again(&f, child, "start");
    char *text = show(&f, id);
    EXPECT_ASK(text, "[.status, .token]", "[\"waiting\",2]");
    pawl_free(text);
    text = show(&f, child);
    EXPECT_ASK(text, "[.status, .token]", "[\"completed\",2]");
    pawl_free(text);
    expect_inbox_empty(&f);
    pawl_free(child);
    pawl_free(id);
    fixture_done(&f);
}

static void put_row(fixture *f, const char *target, const char *key, const char *kind,
                    const char *payload)
{
    const pw_inbox_row row = { .target = pw_str_of(target),
                               .key = pw_str_of(key),
                               .kind = pw_str_of(kind),
                               .payload = pw_str_of(payload),
                               .actor = PW_LIT("ops"),
                               .created_ms = 1 };
    EXPECT_OK(pw_store_inbox_put(f->p->store, &row, &f->err), f->err);
}

/* Whoever can write SQL can write rows that make no sense. */
TEST(letter, of_a_row_that_makes_no_sense_is_refused_with_a_reason)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "asks", asks);
    char *id = start(&f, "asks", NULL);
    put_row(&f, id, "a", "start", "{\"namespace\":\"test\",\"name\":\"asks\"}");
    put_row(&f, id, "b", "child-ended", "{\"visit\":1}");
    put_row(&f, id, "c", "child-ended", "{\"visit\":-1,\"child\":\"x\"}");
    put_row(&f, id, "d", "child-ended", "{\"visit\":1,\"child\":\"x\",\"output\":1}");
    put_row(&f, id, "e", "child-ended", "[");
    pw_recovery_inbox(f.p->recovery);
    drain(&f);
    char *text = steps(&f, id);
    EXPECT_ASK(text, "[.steps[1:][].entries[] | [.type, .key, .code]]",
               "[[\"command.without-effect\",\"a\",\"conflict\"],"
               "[\"command.without-effect\",\"b\",\"invalid\"],"
               "[\"command.without-effect\",\"c\",\"invalid\"],"
               "[\"child.late\",null,null],"
               "[\"command.without-effect\",\"e\",\"invalid\"]]");
    pawl_free(text);
    expect_status(&f, id, "\"waiting\"");
    expect_inbox_empty(&f);
    pawl_free(id);
    fixture_done(&f);
}

TEST_MAIN()
