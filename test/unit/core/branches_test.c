/* branches_test.c - a fork with many branches: a step writes the branch that it touches, and no
 * other; whatever is asked of all of them finds them all. */
#include <stdlib.h>
#include "fixture.h"
#include "core/step.h"

/* A fork `all` of so many branches b0, b1 ...; `body` is what each has, %u in it its number. */
static const char *wide(pw_arena *arena, unsigned branches, const char *head, const char *body)
{
    pw_buf text;
    pw_buf_init(&text, 0);
    pw_buf_printf(&text, "  - all:\n      fork:\n%s        branches:\n", head);
    for (unsigned i = 0; i < branches; i++) {
        pw_buf_printf(&text, "          - b%u: ", i);
        for (const char *at = body; *at; at++) {
            if (at[0] == '%' && at[1] == 'u') {
                pw_buf_printf(&text, "%u", i);
                at++;
            } else {
                pw_buf_char(&text, *at);
            }
        }
        pw_buf_char(&text, '\n');
    }
    const char *out = pw_arena_str(arena, pw_buf_view(&text)).ptr;
    pw_buf_done(&text);
    return out;
}

static void open_wide(fixture *f, unsigned branches, const char *head, const char *body,
                      const char *more)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    const char *tasks = wide(&arena, branches, head, body);
    fixture_open(f, pw_arena_printf(&arena, "%s%s", tasks, more).ptr);
    pw_arena_done(&arena);
}

#define TWO_CALLS "{ do: [ { one: { call: work, with: { b: %u } } }, { two: { call: work } } ] }"

/* The number of entries of a type in the last step. */
static unsigned entries_of(fixture *f, const char *type)
{
    pw_value entries;
    pawl_error err;
    const pw_payload_source source = fixture_source(f);
    EXPECT_OK(pw_entries_parse(&entries, f->t.entries, &source, &f->arena, &err), err);
    unsigned n = 0;
    for (uint32_t i = 0; i < entries.count; i++)
        n += pw_str_is(pw_get_text(pw_item(entries, i), "type"), type);
    return n;
}

TEST(branches, a_step_writes_the_branch_that_it_touches_and_no_other)
{
    fixture f;
    open_wide(&f, 100, "", TWO_CALLS, "");
    fixture_start(&f, "{\"from\":\"the start\"}");
    EXPECT_INT(f.t.work_count, 100);
    EXPECT_INT(f.t.branch_count, 100);
    EXPECT_INT(f.branches.count, 100);
    uint64_t visit = f.t.work[57].visit;
    EXPECT_STR(f.t.work[57].input, "{\"b\":57}");
    EXPECT(f.t.state_text.len < 300);
    EXPECT(!strstr(fixture_text(&f, f.t.state_text), "work"));
    fixture_reload(&f);
    EXPECT(pw_state_wants(f.state, visit, 1));
    EXPECT(!pw_state_wants(f.state, visit + 1000, 1));
    fixture_result(&f, visit, 1, "{}");
    EXPECT_INT(f.t.branch_count, 1);
    EXPECT_INT(f.t.branches[0].fork, 1);
    EXPECT_INT(f.t.branches[0].number, 57);
    EXPECT(f.t.branches[0].state.len < 500);
    EXPECT(f.t.state_text.len < 300);
    EXPECT_INT(f.t.work_count, 1);
    EXPECT_INT(f.t.fork_end_count, 0);
    EXPECT_INT(f.branches.count, 100);
    EXPECT_TEXT(fixture_entries(&f),
                "task.completed /do/0/all/fork/branches/57/b57/do/0/one; task.started "
                "/do/0/all/fork/branches/57/b57/do/1/two");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.wake_at, 0);
    fixture_close(&f);
}

TEST(branches, outputs_come_in_the_order_of_declaration_whatever_ends_first)
{
    enum { BRANCHES = 37 }; /* not a power of anything */
    fixture f;
    open_wide(&f, BRANCHES, "", "{ call: work, with: { b: %u } }",
              "  - after: { set: '${ . }' }\n");
    fixture_start(&f, "null");
    pw_work work[BRANCHES];
    memcpy(work, f.t.work, sizeof work);
    for (unsigned i = 0; i < BRANCHES; i++) {
        unsigned at = i * 23 % BRANCHES;
        if (i % 3 == 0)
            fixture_reload(&f);
        EXPECT_STATUS(f, "waiting");
        fixture_result(&f, work[at].visit, 1, pw_arena_printf(&f.arena, "%u", at * 10).ptr);
        EXPECT_INT(f.t.branch_count, i + 1 < BRANCHES ? 1 : 0);
        EXPECT_INT(f.t.fork_end_count, i + 1 < BRANCHES ? 0 : 1);
    }
    EXPECT_STATUS(f, "completed");
    EXPECT_INT(f.t.fork_ends[0], 1);
    EXPECT_INT(f.branches.count, 0);
    EXPECT_OUTPUT(f, "[0,10,20,30,40,50,60,70,80,90,100,110,120,130,140,150,160,170,180,190,200,"
                     "210,220,230,240,250,260,270,280,290,300,310,320,330,340,350,360]");
    fixture_close(&f);
}

/* What a step decides is the same, byte for byte, whether the state was in memory or was read. */
TEST(branches, a_restart_before_every_step_changes_nothing)
{
    enum { BRANCHES = 20 };
    fixture f[2];
    for (unsigned k = 0; k < 2; k++) {
        open_wide(&f[k], BRANCHES, "", TWO_CALLS, "");
        fixture_start(&f[k], "{\"large\":[1,2,3]}");
    }
    pw_work open[BRANCHES];
    memcpy(open, f[0].t.work, sizeof open);
    for (unsigned i = 0; i < 2 * BRANCHES; i++) {
        unsigned at = i * 7 % BRANCHES;
        for (unsigned k = 0; k < 2; k++) {
            if (k)
                fixture_reload(&f[k]);
            fixture_result(&f[k], open[at].visit, 1, "{\"done\":true}");
        }
        EXPECT_TEXT(fixture_text(&f[0], f[0].t.state_text), fixture_text(&f[0], f[1].t.state_text));
        EXPECT_TEXT(fixture_text(&f[0], f[0].t.entries), fixture_text(&f[0], f[1].t.entries));
        EXPECT_TEXT(branch_rows_text(&f[0].branches, &f[0].arena).ptr,
                    branch_rows_text(&f[1].branches, &f[1].arena).ptr);
        if (f[0].t.work_count)
            open[at] = f[0].t.work[0];
    }
    EXPECT_STATUS(f[0], "completed");
    EXPECT_INT(f[0].branches.count, 0);
    fixture_close(&f[0]);
    fixture_close(&f[1]);
}

TEST(branches, of_many_that_compete_one_wins_and_the_others_let_go)
{
    fixture f;
    open_wide(&f, 50, "        compete: true\n", "{ call: work, with: { b: %u } }", "");
    fixture_start(&f, "null");
    uint64_t visit = f.t.work[31].visit, out = f.t.work[3].visit;
    fixture_failed(&f, out, 1, "{\"status\":500,\"title\":\"no\"}");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.branch_count, 1);
    EXPECT_STR(f.t.branches[0].state, "{}");
    fixture_reload(&f);
    fixture_result(&f, visit, 1, "\"won\"");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "\"won\"");
    EXPECT_INT(f.t.work_count, 48);
    EXPECT_INT(entries_of(&f, "task.cancelled"), 48);
    EXPECT_STR(f.t.work[0].task, "/do/0/all/fork/branches/0/b0");
    EXPECT_STR(f.t.work[47].task, "/do/0/all/fork/branches/49/b49");
    EXPECT_INT(f.branches.count, 0);
    fixture_close(&f);
}

TEST(branches, the_last_error_goes_on_when_all_that_competed_have_failed)
{
    fixture f;
    open_wide(&f, 9, "        compete: true\n", "{ call: work }", "");
    fixture_start(&f, "null");
    for (unsigned i = 0; i < 9; i++) {
        EXPECT_STATUS(f, "waiting");
        fixture_reload(&f);
        fixture_failed(&f, 2 + i, 1,
                       pw_arena_printf(&f.arena, "{\"status\":%u,\"title\":\"no\"}", 500 + i).ptr);
    }
    EXPECT_STATUS(f, "faulted");
    EXPECT_CONTAINS(fixture_text(&f, f.t.error), "\"status\":508");
    EXPECT_INT(f.branches.count, 9); /* kept for who mends it */
    fixture_reload(&f);
    fixture_close(&f);
}

TEST(branches, a_time_wakes_those_whose_time_it_is)
{
    fixture f;
    open_wide(&f, 40, "", "{ wait: '${ \"PT\\(%u + 1)S\" }' }", "");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.bookmark_count, 40);
    EXPECT_INT(f.t.timer_at, T0 + 1000);
    EXPECT_INT(f.t.wake_at, T0 + 1000);
    fixture_reload(&f);
    EXPECT_INT(pw_state_timer(f.state, &f.settings), T0 + 1000);
    fixture_timer(&f, T0 + 3500);
    EXPECT_INT(f.t.bookmark_end_count, 3);
    EXPECT_INT(f.t.branch_count, 3);
    EXPECT_INT(f.t.branches[2].number, 2);
    EXPECT_INT(f.t.timer_at, T0 + 4000);
    fixture_reload(&f);
    EXPECT_INT(pw_state_timer(f.state, &f.settings), T0 + 4000);
    fixture_timer(&f, T0 + 60000);
    EXPECT_INT(f.t.bookmark_end_count, 37);
    EXPECT_STATUS(f, "completed");
    EXPECT_INT(f.branches.count, 0);
    fixture_close(&f);
}

TEST(branches, an_answer_wakes_the_one_whose_question_it_is)
{
    fixture f;
    open_wide(&f, 64, "", "{ call: userTask, with: { key: 'ask-%u' } }", "");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.bookmark_count, 64);
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    fixture_reload(&f);
    fixture_resume(&f, "ask-64", "{}", "ann");
    EXPECT(!f.t.changed);
    EXPECT_INT(f.t.code, PAWL_NOT_FOUND);
    fixture_resume(&f, "ask-40", "{\"yes\":true}", "ann");
    EXPECT_INT(f.t.branch_count, 1);
    EXPECT_INT(f.t.branches[0].number, 40);
    EXPECT_INT(f.t.bookmark_end_count, 1);
    EXPECT_CONTAINS(fixture_text(&f, f.t.branches[0].state), "{\"d\":{\"yes\":true,");
    fixture_resume(&f, "ask-40", "{\"yes\":true}", "ann");
    EXPECT(!f.t.changed);
    fixture_close(&f);
}

TEST(branches, waits_and_work_of_all_of_them_are_told)
{
    fixture f;
    open_wide(&f, 30, "", "{ call: work, with: { b: %u } }", "");
    fixture_start(&f, "null");
    fixture_result(&f, f.t.work[4].visit, 1, "{}");
    fixture_reload(&f);
    EXPECT_INT(pw_state_waits(f.state, f.program, &f.arena).count, 29);
    pw_work *work;
    size_t count;
    pawl_error err;
    EXPECT_OK(
        pw_state_work(&work, &count, f.state, f.program, &f.identity, &f.settings, &f.arena, &err),
        err);
    EXPECT_INT(count, 29);
    EXPECT_STR(work[3].input, "{\"b\":3}");
    EXPECT_STR(work[4].input, "{\"b\":5}");
    EXPECT_STR(work[28].input, "{\"b\":29}");
    fixture_close(&f);
}

TEST(branches, a_cancelled_instance_lets_go_of_all_and_leaves_no_row)
{
    fixture f;
    open_wide(&f, 30, "", TWO_CALLS, "");
    fixture_start(&f, "null");
    fixture_result(&f, f.t.work[4].visit, 1, "{}");
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_CANCEL, "ann", "");
    EXPECT_STATUS(f, "cancelled");
    EXPECT_INT(f.t.work_count, 30);
    EXPECT_INT(entries_of(&f, "task.cancelled"), 61);
    EXPECT_INT(f.branches.count, 0);
    EXPECT_INT(f.t.branch_count, 0);
    fixture_close(&f);
}

TEST(branches, a_fault_leaves_the_others_in_flight_and_keeps_their_results)
{
    fixture f;
    open_wide(&f, 30, "", "{ call: work, with: { b: %u } }", "");
    fixture_start(&f, "null");
    fixture_failed(&f, f.t.work[4].visit, 1, "{\"status\":500,\"title\":\"no\"}");
    EXPECT_STATUS(f, "faulted");
    EXPECT_INT(f.t.work_count, 0);
    EXPECT_INT(f.t.branch_count, 1);
    EXPECT_INT(f.branches.count, 30);
    fixture_reload(&f);
    fixture_result(&f, 10, 1, "{}");
    EXPECT_TEXT(fixture_entries(&f), "result.kept /do/0/all/fork/branches/8/b8");
    EXPECT_INT(f.t.branch_count, 1);
    EXPECT_INT(f.branches.count, 30);
    fixture_result(&f, 10, 1, "{}");
    EXPECT_TEXT(fixture_entries(&f), "activity.late");
    fixture_close(&f);
}

TEST(branches, results_for_a_suspended_instance_are_kept_and_go_on_with_it)
{
    fixture f;
    open_wide(&f, 30, "", "{ call: work, with: { b: %u } }", "");
    fixture_start(&f, "null");
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    EXPECT_INT(f.t.branch_count, 0);
    for (unsigned i = 0; i < 30; i++) {
        fixture_reload(&f);
        fixture_result(&f, 31 - i, 1, "1");
        EXPECT_INT(f.t.branch_count, 1);
    }
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_STATUS(f, "completed");
    EXPECT_INT(f.branches.count, 0);
    fixture_close(&f);
}

TEST(branches, a_failed_branch_ends_the_fork_and_a_retry_begins_a_new_one)
{
    fixture f;
    fixture_open(
        &f, "  - safe:\n"
            "      try:\n"
            "        - all:\n"
            "            fork:\n"
            "              branches: [ { a: { call: work } }, { b: { call: work } }, { c: { "
            "call: work } }, { d: { call: work } }, { e: { call: work } }, { f: { call: work } "
            "}, { g: { call: work } }, { h: { call: work } } ]\n"
            "      catch: { retry: { delay: PT1S, limit: { attempt: { count: 1 } } } }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.branches.count, 8);
    fixture_result(&f, f.t.work[1].visit, 1, "1");
    fixture_reload(&f);
    fixture_failed(&f, 3, 1, "{\"status\":503,\"title\":\"no\"}");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.branches.count, 0);
    EXPECT_INT(f.t.fork_end_count, 1);
    fixture_reload(&f);
    fixture_timer(&f, T0 + 1000);
    EXPECT_INT(f.branches.count, 8);
    EXPECT_INT(f.branches.items[0].fork, 11);
    for (uint64_t visit = 12; visit < 20; visit++)
        fixture_result(&f, visit, 1, "1");
    EXPECT_STATUS(f, "completed");
    EXPECT_INT(f.branches.count, 0);
    fixture_close(&f);
}

/* Two wide forks inside each branch of a wide one: 8 * (8 + 8). */
TEST(branches, forks_inside_of_branches_have_rows_of_their_own)
{
    static const char body[] =
        "{ for: { each: x, in: '[1, 2]' }, do: [ { inner: { fork: { branches: [ { a: { call: work "
        "} "
        "}, { b: { call: work } }, { c: { call: work } }, { d: { call: work } }, { e: { call: work "
        "} "
        "}, { f: { call: work } }, { g: { call: work } }, { h: { wait: PT1H } } ] } } } ] }";
    fixture f;
    open_wide(&f, 8, "", body, "");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.work_count, 56);
    EXPECT_INT(f.branches.count, 8 + 64);
    fixture_reload(&f);
    EXPECT_INT(pw_state_waits(f.state, f.program, &f.arena).count, 64);
    uint64_t visit = f.t.work[20].visit;
    fixture_result(&f, visit, 1, "1");
    EXPECT_INT(f.t.branch_count, 2); /* the inner branch, and the outer one that has its fork */
    unsigned rounds = 0;
    for (int64_t now = T0 + 3600000; !pw_status_ended(f.t.status); now += 3600000, rounds++) {
        pw_work *work;
        size_t count;
        pawl_error err;
        EXPECT_OK(pw_state_work(&work, &count, f.state, f.program, &f.identity, &f.settings,
                                &f.arena, &err),
                  err);
        EXPECT(count > 0 && rounds < 2);
        for (size_t i = 0; i < count; i++) {
            if (i % 10 == 0)
                fixture_reload(&f);
            fixture_result(&f, work[i].visit, 1, "1");
        }
        fixture_reload(&f);
        EXPECT_INT(pw_state_timer(f.state, &f.settings), now);
        fixture_timer(&f, now);
    }
    EXPECT_STATUS(f, "completed");
    EXPECT_INT(rounds, 2);
    EXPECT_INT(f.branches.count, 0);
    fixture_close(&f);
}

TEST(branches, more_than_a_step_may_begin_are_begun_in_the_steps_behind_it)
{
    fixture f;
    open_wide(&f, 100, "", "{ call: work, with: { b: %u } }", "");
    f.settings.tasks_per_step = 30;
    fixture_start(&f, "null");
    EXPECT(f.t.cut);
    EXPECT_INT(f.t.work_count, 29);
    EXPECT_INT(f.branches.count, 100);
    fixture_reload(&f);
    EXPECT(pw_state_cut(f.state));
    unsigned begun = 29;
    for (unsigned i = 0; i < 3; i++) {
        fixture_drive(&f);
        begun += (unsigned)f.t.work_count;
    }
    EXPECT_INT(begun, 100);
    EXPECT(!f.t.cut);
    EXPECT_STATUS(f, "waiting");
    fixture_close(&f);
}

TEST(branches, a_fork_that_ends_in_the_step_that_began_it_has_no_rows)
{
    fixture f;
    open_wide(&f, 20, "", "{ set: { n: %u } }", "");
    fixture_start(&f, "null");
    EXPECT_STATUS(f, "completed");
    EXPECT_CONTAINS(fixture_text(&f, f.t.output), "[{\"n\":0},{\"n\":1},{\"n\":2},");
    EXPECT_INT(f.t.branch_count, 0);
    EXPECT_INT(f.t.fork_end_count, 0);
    fixture_close(&f);
}

/* A branch exports for all, seen by whoever runs after it. */
TEST(branches, an_export_of_one_is_seen_by_the_others)
{
    fixture f;
    open_wide(
        &f, 20, "",
        "{ do: [ { one: { call: work, export: { as: '${ [$context, %u] }' } } }, { two: { set: "
        "{ seen: '${ $context }' } } } ] }",
        "");
    fixture_start(&f, "null");
    fixture_result(&f, f.t.work[7].visit, 1, "1");
    fixture_reload(&f);
    EXPECT_CONTAINS(fixture_text(&f, f.t.branches[0].state), "{\"d\":{\"seen\":[null,7]}}");
    fixture_result(&f, 22 + 3, 1, "1");
    EXPECT_CONTAINS(fixture_text(&f, f.t.branches[0].state), "{\"d\":{\"seen\":[[null,7],3]}}");
    fixture_close(&f);
}

static pawl_code parse_with(fixture *f, const char *branches, pawl_error *err)
{
    pw_state *state;
    return pw_state_parse_branches(&state, f->t.state_text, pw_str_of(branches), f->program, NULL,
                                   &f->arena, err);
}

TEST(branches, rows_that_do_not_fit_their_fork_are_corrupt)
{
    fixture f;
    pawl_error err;
    open_wide(&f, 8, "", "{ call: work }", "");
    fixture_start(&f, "null");
    const char *good = branch_rows_text(&f.branches, &f.arena).ptr;
    EXPECT_OK(parse_with(&f, good, &err), err);
    EXPECT_INT(parse_with(&f, "", &err), PAWL_CORRUPT);
    EXPECT_CONTAINS(err.message, "a branch of a fork is not there");
    EXPECT_INT(parse_with(&f, "[]", &err), PAWL_CORRUPT);
    EXPECT_INT(parse_with(&f, "[[1,0,{}]", &err), PAWL_CORRUPT);
    EXPECT_INT(parse_with(&f, "{}", &err), PAWL_CORRUPT);
    branch_rows less = { f.branches.items, 7 };
    EXPECT_INT(parse_with(&f, branch_rows_text(&less, &f.arena).ptr, &err), PAWL_CORRUPT);
    for (unsigned i = 0; i < 8; i++) {
        pw_branch_row was = f.branches.items[i];
        static const char *const bad[] = { "{}", "null", "{\"d\":1}", "{\"o\":{}}", "{\"o\":1}" };
        for (size_t k = 0; k < PW_LENGTH(bad); k++) {
            f.branches.items[i].state = pw_str_of(bad[k]);
            EXPECT_INT(parse_with(&f, branch_rows_text(&f.branches, &f.arena).ptr, &err),
                       PAWL_CORRUPT);
        }
        f.branches.items[i].state = f.branches.items[(i + 1) % 8].state; /* of another branch */
        EXPECT_INT(parse_with(&f, branch_rows_text(&f.branches, &f.arena).ptr, &err), PAWL_CORRUPT);
        f.branches.items[i] = was;
        f.branches.items[i].number = i + 8;
        EXPECT_INT(parse_with(&f, branch_rows_text(&f.branches, &f.arena).ptr, &err), PAWL_CORRUPT);
        f.branches.items[i] = was;
        f.branches.items[i].fork = 2;
        EXPECT_INT(parse_with(&f, branch_rows_text(&f.branches, &f.arena).ptr, &err), PAWL_CORRUPT);
        f.branches.items[i] = was;
    }
    EXPECT_OK(parse_with(&f, branch_rows_text(&f.branches, &f.arena).ptr, &err), err);
    fixture_close(&f);
}

/* What was stored before branches had rows. */
TEST(branches, a_state_that_has_all_branches_in_it_is_read_and_goes_on)
{
    fixture f;
    open_wide(&f, 8, "", "{ call: work }", "");
    fixture_start(&f, "null");
    char text[4096];
    size_t len =
        (size_t)snprintf(text, sizeof text,
                         "{\"f\":2,\"s\":\"waiting\",\"v\":9,\"t\":%lld,\"i\":null,\"x\":null,"
                         "\"r\":{\"o\":1,\"s\":%lld,\"=\":1,"
                         "\"c\":[{\"t\":0,\"p\":1,\"v\":1,\"o\":8,\"i\":8,\"s\":%lld,\"=\":1,"
                         "\"it\":[null,null,null,null,null,null,null,null],\"c\":[",
                         T0, T0, T0);
    for (unsigned i = 0; i < 8; i++)
        len += (size_t)snprintf(
            text + len, sizeof text - len,
            "%s{\"t\":%u,\"p\":6,\"v\":%u,\"n\":1,\"s\":%lld,\"=\":1,\"a\":{},\"k\":\"k%u\"}",
            i ? "," : "", i + 1, i + 2, T0, i);
    (void)snprintf(text + len, sizeof text - len, "]}]}}");
    pawl_error err;
    EXPECT_OK(pw_state_parse(&f.state, pw_str_of(text), f.program, NULL, &f.arena, &err), err);
    for (uint64_t visit = 2; visit < 10; visit++) {
        EXPECT_INT(f.t.status, PW_WAITING);
        fixture_result(&f, visit, 1, "1");
        EXPECT_INT(f.t.branch_count, 0);
    }
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "[1,1,1,1,1,1,1,1]");
    fixture_close(&f);
}

TEST(branches, a_copy_shares_nothing_with_the_old_arena_and_passes_on_what_it_did)
{
    fixture f;
    open_wide(&f, 40, "", TWO_CALLS, "");
    fixture_start(&f, "{\"order\":\"that all of them are given\"}");
    uint64_t visit = f.t.work[3].visit;
    fixture_result(&f, f.t.work[5].visit, 1, "{\"done\":true}");
    pw_arena other;
    pw_arena_init(&other, 0);
    pawl_error err;
    pw_state *copy;
    EXPECT_OK(pw_state_copy(&copy, f.state, &other, &err), err);
    pw_arena_done(&f.arena); /* with all that the fixture had kept */
    f.arena = other;
    memset(&f.branches, 0, sizeof f.branches);
    memset(&f.payloads, 0, sizeof f.payloads);
    f.state = copy;
    fixture_result(&f, visit, 1, "{\"done\":true}");
    EXPECT_INT(f.t.branch_count, 1);
    EXPECT_INT(f.t.branches[0].number, 3);
    EXPECT(!strstr(fixture_text(&f, f.t.branches[0].state), "that all"));
    EXPECT(!pw_state_wants(f.state, visit, 1));
    EXPECT_INT(pw_state_waits(f.state, f.program, &f.arena).count, 40);
    fixture_close(&f);
}

TEST(branches, running_out_of_memory_at_any_allocation_leaves_the_old_state)
{
    fixture f;
    open_wide(&f, 20, "", TWO_CALLS, "");
    fixture_start(&f, "null");
    const pw_state *before = f.state;
    uint64_t visit = f.t.work[9].visit;
    const pw_event event = { .kind = PW_EVENT_ACTIVITY_RESULT,
                             .visit = visit,
                             .attempt = 1,
                             .now_ms = T0,
                             .payload = pw_null() };
    fixture_result(&f, visit, 1, "null");
    const char *good = fixture_text(&f, f.t.branches[0].state);
    bool failed = true;
    for (size_t limit = 64; failed; limit += 64) {
        pw_arena small;
        pw_arena_init(&small, limit);
        pawl_error err;
        pw_transition t;
        pawl_code code = pw_core_step(&t, f.program, before, &f.identity, &event, &f.settings,
                                      f.machine, &small, &err);
        failed = code != PAWL_OK;
        if (failed)
            EXPECT_INT(code, PAWL_NO_MEMORY);
        else
            EXPECT_TEXT(fixture_text(&f, t.branches[0].state), good);
        pw_arena_done(&small);
    }
    fixture_close(&f);
}

/* ------------------------------------------------------------------ what a step costs */

typedef struct step_cost {
    size_t arena, written; /* bytes */
} step_cost;

/* A step of the branch in the middle, as the first that has gone on; and the one after it. */
static step_cost cost_of(unsigned branches)
{
    fixture f;
    open_wide(&f, branches, "",
              "{ for: { each: x, in: '[range(4)]' }, do: [ { one: { call: work } } ] }", "");
    f.settings.tasks_per_step = 1000000;
    f.state = NULL;
    fixture_start(&f, "{\"order\":\"x\"}");
    const pw_event event = { .kind = PW_EVENT_ACTIVITY_RESULT,
                             .visit = f.t.work[branches / 2].visit,
                             .attempt = 1,
                             .now_ms = T0,
                             .payload = pw_null() };
    pawl_error err;
    pw_transition t;
    size_t before = f.arena.used;
    EXPECT_OK(pw_core_step(&t, f.program, f.state, &f.identity, &event, &f.settings, f.machine,
                           &f.arena, &err),
              err);
    EXPECT_INT(t.branch_count, 1);
    EXPECT_INT(t.work_count, 1);
    step_cost cost = { f.arena.used - before,
                       t.state_text.len + t.branches[0].state.len + t.entries.len };
    fixture_close(&f);
    return cost;
}

/* The tree of slots is deeper by two nodes of 200 bytes; numbers have more digits. */
TEST(branches, a_step_takes_and_writes_no_more_among_a_thousand_than_among_ten)
{
    step_cost few = cost_of(10), many = cost_of(1000);
    if (many.arena > few.arena + 600 || many.written > few.written + 30)
        fail_msg("%zu bytes of memory and %zu written, among ten %zu and %zu", many.arena,
                 many.written, few.arena, few.written);
}

TEST_MAIN()
