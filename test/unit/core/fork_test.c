/* fork_test.c - branches that compete: who wins, and what becomes of the others. */
#include "fixture.h"

#define RACE                                                                                       \
    "  - race:\n"                                                                                  \
    "      fork:\n"                                                                                \
    "        compete: true\n"                                                                      \
    "        branches:\n"

TEST(fork, the_first_branch_that_ends_well_wins_and_its_output_is_the_forks)
{
    fixture f;
    fixture_open(&f, RACE "          - left: { call: slow, with: { side: left } }\n"
                          "          - right: { call: slow, with: { side: right } }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.work_count, 2);
    fixture_reload(&f);
    fixture_result(&f, 3, 1, "{\"won\":\"right\"}");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"won\":\"right\"}");
    EXPECT_INT(f.t.work_count, 1); /* the loser's attempt is to stop */
    EXPECT(f.t.work[0].cancel);
    EXPECT_INT(f.t.work[0].visit, 2);
    EXPECT_TEXT(fixture_entries(&f),
                "task.completed /do/0/race/fork/branches/1/right; task.cancelled "
                "/do/0/race/fork/branches/0/left; task.completed /do/0/race; instance.completed");
    fixture_close(&f);
}

TEST(fork, losers_hold_nothing_outside_any_more)
{
    fixture f;
    fixture_open(
        &f, RACE
        "          - person: { call: userTask, with: { key: ask } }\n"
        "          - request: { call: http, with: { method: get, endpoint: 'http://h/x' } }\n"
        "          - pause: { wait: PT10S }\n"
        "          - again: { try: [ { no: { raise: { error: { type: 'http://e/a', status: 500 } } "
        "} } ], catch: { retry: { delay: PT20S } } }\n"
        "          - deep: { do: [ { job: { call: slow } }, { more: { set: { deep: true } } } ] }\n"
        "  - after: { call: last }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.bookmark_count, 3);
    EXPECT_INT(f.t.call_count, 1);
    uint64_t call = f.t.calls[0].visit;
    pw_str key = f.t.calls[0].key;
    EXPECT_INT(f.t.timer_at, T0 + 10000);
    fixture_reload(&f);
    fixture_result(&f, f.t.work[0].visit, 1, "1");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.outcome_count, 1);
    EXPECT_INT(f.t.outcomes[0].state, PW_CALL_ABANDONED);
    EXPECT_INT(f.t.outcomes[0].visit, call);
    EXPECT_TEXT(fixture_text(&f, f.t.outcomes[0].key), fixture_text(&f, key));
    EXPECT_INT(f.t.bookmark_end_count, 3);
    for (size_t i = 0; i < 3; i++)
        EXPECT(!f.t.bookmark_ends[i].consumed);
    EXPECT_STR(f.t.bookmark_ends[0].key, "ask");
    EXPECT_STR(f.t.bookmark_ends[1].key, "pause-4");
    EXPECT_STR(f.t.bookmark_ends[2].key, "again-5-retry-1");
    EXPECT_INT(f.t.timer_at, PW_WAKE_NEVER);
    EXPECT_INT(f.t.work_count, 1);
    EXPECT_STR(f.t.work[0].function, "last");
    uint64_t last = f.t.work[0].visit;
    fixture_reload(&f);

    /* what comes too late is written down, and changes nothing */
    fixture_answer(&f, call, 200, "application/json", "{\"late\":true}");
    EXPECT_TEXT(fixture_entries(&f), "call.late");
    EXPECT_STATUS(f, "waiting");
    fixture_resume(&f, "ask", "{}", "ann");
    EXPECT(!f.t.changed);
    EXPECT_INT(f.t.code, PAWL_NOT_FOUND);
    fixture_timer(&f, T0 + 30000);
    EXPECT(!f.t.changed);
    fixture_result(&f, last, 1, "\"end\"");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "\"end\"");
    fixture_close(&f);
}

TEST(fork, a_late_result_of_an_activity_that_lost_is_only_logged)
{
    fixture f;
    fixture_open(&f, RACE "          - a: { call: slow }\n"
                          "          - b: { call: slow }\n"
                          "  - after: { call: userTask, with: { key: k } }\n");
    fixture_start(&f, "null");
    fixture_result(&f, 3, 1, "1");
    EXPECT_STATUS(f, "waiting");
    fixture_reload(&f);
    fixture_result(&f, 2, 1, "2");
    EXPECT_TEXT(fixture_entries(&f), "activity.late");
    EXPECT_STATUS(f, "waiting");
    fixture_close(&f);
}

TEST(fork, what_a_loser_asked_for_in_the_step_of_the_winner_is_never_asked)
{
    fixture f;
    fixture_open(
        &f,
        RACE "          - request: { call: http, with: { method: get, endpoint: 'http://h/x' } }\n"
             "          - job: { call: slow }\n"
             "          - person: { call: userTask }\n"
             "          - quick: { set: { quick: true } }\n"
             "          - never: { set: { never: true } }\n");
    fixture_start(&f, "null");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"quick\":true}");
    EXPECT_INT(f.t.call_count, 0);
    EXPECT_INT(f.t.outcome_count, 0);
    EXPECT_INT(f.t.work_count, 0);
    EXPECT_INT(f.t.bookmark_count, 0);
    EXPECT_INT(f.t.bookmark_end_count, 0);
    fixture_close(&f);
}

TEST(fork, an_error_ends_a_branch_and_the_last_one_the_fork)
{
    fixture f;
    fixture_open(&f, RACE "          - a: { do: [ { x: { call: slow } } ] }\n"
                          "          - b: { call: slow }\n"
                          "          - c: { call: slow }\n");
    fixture_start(&f, "null");
    fixture_failed(&f, f.t.work[0].visit, 1, "{\"status\":500,\"title\":\"of b\"}");
    EXPECT_STATUS(f, "waiting");
    EXPECT_TEXT(fixture_entries(&f), "task.faulted /do/0/race/fork/branches/1/b");
    fixture_reload(&f);
    fixture_failed(&f, 5, 1, "{\"status\":501,\"title\":\"of x\"}");
    EXPECT_STATUS(f, "waiting");
    EXPECT_TEXT(fixture_entries(&f), "task.faulted /do/0/race/fork/branches/0/a/do/0/x; "
                                     "task.faulted /do/0/race/fork/branches/0/a");
    fixture_reload(&f);
    fixture_failed(&f, 4, 1, "{\"status\":502,\"title\":\"of c\"}");
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "title"), "of c");
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "instance"),
                "/do/0/race/fork/branches/2/c");
    fixture_close(&f);
}

TEST(fork, a_branch_may_win_after_another_has_failed)
{
    fixture f;
    fixture_open(&f,
                 RACE "          - a: { raise: { error: { type: 'http://e/a', status: 500 } } }\n"
                      "          - b: { set: { won: b } }\n");
    fixture_start(&f, "null");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"won\":\"b\"}");
    fixture_close(&f);
}

TEST(fork, a_branch_catches_its_own_errors_and_the_last_error_is_caught_around_the_fork)
{
    fixture f;
    fixture_open(&f,
                 "  - safe:\n"
                 "      try:\n"
                 "        - race:\n"
                 "            fork:\n"
                 "              compete: true\n"
                 "              branches:\n"
                 "                - a: { raise: { error: { type: 'http://e/a', status: 501 } } }\n"
                 "                - b: { raise: { error: { type: 'http://e/b', status: 502 } } }\n"
                 "      catch: { do: [ { seen: { set: '${ $error.status }' } } ] }\n");
    fixture_start(&f, "null");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "502");
    fixture_close(&f);

    fixture_open(
        &f,
        RACE "          - a: { try: [ { no: { raise: { error: { type: 'http://e/a', status: 500 "
             "} } } } ], catch: { do: [ { mend: { set: { mended: true } } } ] } }\n"
             "          - b: { call: slow }\n");
    fixture_start(&f, "null");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"mended\":true}");
    fixture_close(&f);
}

TEST(fork, a_skipped_branch_does_not_win)
{
    fixture f;
    fixture_open(&f, RACE "          - a: { if: 'false', set: { won: a } }\n"
                          "          - b: { set: { won: b } }\n");
    fixture_start(&f, "{\"in\":1}");
    EXPECT_OUTPUT(f, "{\"won\":\"b\"}");
    fixture_close(&f);

    fixture_open(&f, RACE "          - a: { if: 'false', set: { won: a } }\n"
                          "          - b: { if: 'false', set: { won: b } }\n");
    fixture_start(&f, "{\"in\":1}");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"in\":1}"); /* nobody ran: as if the fork had been skipped */
    fixture_close(&f);

    fixture_open(&f,
                 RACE "          - a: { raise: { error: { type: 'http://e/a', status: 500 } } }\n"
                      "          - b: { if: 'false', set: { won: b } }\n");
    fixture_start(&f, "null");
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "type"), "http://e/a");
    fixture_close(&f);
}

TEST(fork, only_the_winners_exports_count)
{
    fixture f;
    fixture_open(
        &f,
        "  - first: { set: { a: 1 }, export: { as: '{ n: 1 }' } }\n" RACE "          - left:\n"
        "              do:\n"
        "                - l1: { set: { b: 1 }, export: { as: '$context + { left: true }' } }\n"
        "                - l2: { call: slow, with: { seen: '${ $context }' } }\n"
        "          - right:\n"
        "              do:\n"
        "                - r1: { set: { c: 1 }, export: { as: '$context + { right: true }' } }\n"
        "                - r2: { call: slow, with: { seen: '${ $context }' } }\n"
        "                - r3: { set: { d: 1 }, export: { as: '$context + { n: ($context.n + 1) }' "
        "} }\n"
        "              export: { as: '$context + { out: . }' }\n"
        "  - show: { set: '${ $context }' }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.work_count, 2);
    EXPECT_STR(f.t.work[0].input, "{\"seen\":{\"n\":1,\"left\":true}}");
    EXPECT_STR(f.t.work[1].input, "{\"seen\":{\"n\":1,\"right\":true}}");
    fixture_reload(&f);
    fixture_result(&f, f.t.work[1].visit, 1, "null");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"n\":2,\"right\":true,\"out\":{\"d\":1}}");
    fixture_close(&f);
}

TEST(fork, a_race_in_a_race_hands_its_context_to_the_branch_around_it)
{
    fixture f;
    fixture_open(&f, RACE
                 "          - inner:\n"
                 "              do:\n"
                 "                - second:\n"
                 "                    fork:\n"
                 "                      compete: true\n"
                 "                      branches:\n"
                 "                        - p: { set: { p: 1 }, export: { as: '{ by: \"p\" }' } }\n"
                 "                        - q: { call: slow }\n"
                 "                - hold: { call: slow, with: { seen: '${ $context }' } }\n"
                 "          - other: { call: slow, with: { seen: '${ $context }' } }\n"
                 "  - show: { set: '${ $context }' }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.work_count, 2); /* q was taken back */
    EXPECT_STR(f.t.work[0].input, "{\"seen\":null}");
    EXPECT_STR(f.t.work[1].input, "{\"seen\":{\"by\":\"p\"}}");
    fixture_reload(&f);
    fixture_result(&f, f.t.work[0].visit, 1, "1"); /* `other`: p's export was a loser's */
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "null");
    fixture_close(&f);
}

TEST(fork, end_in_a_branch_wins_and_ends_the_workflow)
{
    fixture f;
    fixture_open(&f,
                 RACE "          - a: { do: [ { x: { set: { done: true }, then: end } } ], export: "
                      "{ as: '{ a: 1 }' } }\n"
                      "          - b: { call: slow }\n"
                      "  - never: { set: { never: true } }\n");
    fixture_start(&f, "null");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "{\"done\":true}");
    EXPECT_INT(f.t.work_count, 0);
    fixture_close(&f);
}

TEST(fork, a_result_that_came_while_suspended_decides_the_race_when_it_goes_on)
{
    fixture f;
    fixture_open(&f, RACE "          - a: { call: slow }\n"
                          "          - b: { call: slow }\n");
    fixture_start(&f, "null");
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    fixture_result(&f, 3, 1, "\"b\"");
    fixture_reload(&f);
    fixture_result(&f, 2, 1, "\"a\"");
    EXPECT_STATUS(f, "suspended");
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, "\"a\""); /* both are there: the order of declaration */
    fixture_close(&f);
}

TEST_MAIN()
