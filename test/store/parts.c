/* parts.c - what stores are made of: the order of versions, the names in rows, the moves of a
 * status, and how a store in memory is made to fail. */
#include <pthread.h>

#include "fixture.h"
#include "store/memory/memory.h"
#include "store/sqlite/sqlite_internal.h"
#include "store/store_internal.h"
#include "base/digest.h"

TEST(parts, versions_are_ordered_as_semantic_versioning_says)
{
    static const char *const rising[] = {
        "",
        "apple",
        "v1.0.0",
        "1",
        "1.0",
        "0.0.1",
        "0.9.0",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.0+build.7",
        "1.2.0",
        "1.9.0",
        "1.10.0",
        "2.0.0-0.3.7",
        "2.0.0",
        "2.0.0-x-y.1",
        "18446744073709551616.0.0",
        "18446744073709551617.0.0",
    };
    /* What is no version is below all that are, in the order of bytes. */
    static const char *const by_hand[][2] = { { "", "1" },
                                              { "1", "1.0" },
                                              { "1.0", "apple" },
                                              { "apple", "v1.0.0" },
                                              { "v1.0.0", "0.0.1" },
                                              { "1.0.0-", "0.0.1" },
                                              { "1.0.0.0", "0.0.1" },
                                              { "1..0", "0.0.1" },
                                              { "2.0.0-x-y.1", "2.0.0" },
                                              { "007.0.0", "10.0.0" },
                                              { "1.0.0-a", "01.0.0-a.1" } };
    for (size_t i = 0; i < PW_LENGTH(by_hand); i++) {
        EXPECT(pw_version_cmp(S(by_hand[i][0]), S(by_hand[i][1])) < 0);
        EXPECT(pw_version_cmp(S(by_hand[i][1]), S(by_hand[i][0])) > 0);
    }
    for (size_t i = 5; i + 1 < PW_LENGTH(rising); i++) {
        if (strcmp(rising[i + 1], "2.0.0-x-y.1") == 0 || strcmp(rising[i], "2.0.0-x-y.1") == 0)
            continue;
        if (pw_version_cmp(S(rising[i]), S(rising[i + 1])) >= 0)
            fail_msg("%s is not below %s", rising[i], rising[i + 1]);
        EXPECT(pw_version_cmp(S(rising[i + 1]), S(rising[i])) > 0);
        EXPECT(pw_version_cmp(S(rising[i]), S(rising[i])) == 0);
    }
}

TEST(parts, status_names_are_those_of_stored_rows)
{
    static const char *const names[] = { "pending",   "running",      "waiting",
                                         "suspended", "compensating", "completed",
                                         "faulted",   "cancelled",    "compensated" };
    static const bool ended[] = { false, false, false, false, false, true, true, true, true };
    for (unsigned i = 0; i < PW_STATUS_COUNT; i++) {
        pw_status status = PW_PENDING;
        EXPECT_TEXT(pw_status_name((pw_status)i), names[i]);
        EXPECT(pw_status_parse(&status, S(names[i])));
        EXPECT_INT(status, i);
        EXPECT_INT(pw_status_ended((pw_status)i), ended[i]);
    }
    pw_status status = PW_PENDING;
    EXPECT(!pw_status_parse(&status, S("Waiting")));
    EXPECT(!pw_status_parse(&status, S("wait")));
    EXPECT_TEXT(pw_status_name((pw_status)77), "unknown");
}

TEST(parts, the_moves_of_a_status_are_these)
{
    /* Row: from; column: to; in the order of the enum. */
    static const char *const moves[] = {
        "yyyyyyyyn", /* pending */
        "nyyyyyyyy", /* running: an empty plan ends at once */
        "nyyyyyyyy", /* waiting */
        "yyyyyyyyy", /* suspended: back to pending, if it was to start later */
        "nyyyyyyny", /* compensating */
        "nyyyyyyyy", /* completed: compensated, or rewound */
        "nyyyyyyyy", /* faulted */
        "nyyyyyyyy", /* cancelled */
        "nyyyyyyyy", /* compensated */
    };
    for (unsigned from = 0; from < PW_STATUS_COUNT; from++) {
        for (unsigned to = 0; to < PW_STATUS_COUNT; to++) {
            if (pw_status_may_move((pw_status)from, (pw_status)to) != (moves[from][to] == 'y'))
                fail_msg("%s -> %s", pw_status_name((pw_status)from),
                         pw_status_name((pw_status)to));
        }
    }
}

TEST(parts, the_other_names_in_rows_are_these)
{
    static const char *const events[] = { "start",       "drive",           "timer",
                                          "call-result", "activity-result", "activity-lost",
                                          "message",     "child-ended",     "resume",
                                          "cancel",      "suspend",         "continue",
                                          "claim",       "release",         "delegate",
                                          "comment",     "call-lost",       "retry",
                                          "fail",        "skip",            "goto",
                                          "edit",        "compensate",      "plan",
                                          "rewind" };
    static const char *const kinds[] = { "user-action", "timer", "external-message", "child" };
    static const char *const states[] = { "pending",   "completed", "failed",
                                          "timed-out", "abandoned", "unknown" };
    static const char *const undo[] = { "registered", "unknown", "running",
                                        "done",       "failed",  "skipped" };
    for (unsigned i = 0; i < PW_LENGTH(events); i++)
        EXPECT_TEXT(pw_event_name((pw_event_kind)i), events[i]);
    for (unsigned i = 0; i < PW_LENGTH(kinds); i++)
        EXPECT_TEXT(pw_bookmark_kind_name((pw_bookmark_kind)i), kinds[i]);
    for (unsigned i = 0; i < PW_LENGTH(states); i++)
        EXPECT_TEXT(pw_call_state_name((pw_call_state)i), states[i]);
    for (unsigned i = 0; i < PW_LENGTH(undo); i++)
        EXPECT_TEXT(pw_undo_state_name((pw_undo_state)i), undo[i]);
}

/* Whether the store is opened anew, an item refused or a backup needed hangs on it. */
TEST(parts, what_a_result_of_sqlite_means)
{
    static const struct {
        int rc;
        pawl_code code;
    } rows[] = {
        { SQLITE_OK, PAWL_OK },
        { SQLITE_DONE, PAWL_OK },
        { SQLITE_NOMEM, PAWL_NO_MEMORY },
        { SQLITE_IOERR_NOMEM, PAWL_NO_MEMORY },
        { SQLITE_BUSY_SNAPSHOT, PAWL_BUSY },
        { SQLITE_LOCKED, PAWL_BUSY },
        { SQLITE_CORRUPT_INDEX, PAWL_CORRUPT },
        { SQLITE_NOTADB, PAWL_CORRUPT },
        { SQLITE_CONSTRAINT_UNIQUE, PAWL_INVALID },
        { SQLITE_TOOBIG, PAWL_INVALID },
        { SQLITE_FULL, PAWL_IO },
        { SQLITE_IOERR_FSYNC, PAWL_IO },
        { SQLITE_READONLY, PAWL_IO },
        { SQLITE_CANTOPEN, PAWL_IO },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        EXPECT_INT(pw_sqlite_code(rows[i].rc), rows[i].code);
        EXPECT_INT(pw_sqlite_is_row_failure(rows[i].rc), rows[i].code == PAWL_INVALID);
    }
}

/* Stored with each instance: if the hash changed, every node would own other instances than it
 * wrote. */
TEST(parts, the_partition_of_an_id_never_changes)
{
    EXPECT_INT(pw_store_partition(S("i1")), 3);
    EXPECT_INT(pw_store_partition(S("01hzx7q8w9e2r3t4y5v6b7n8m9")), 29);
}

TEST(parts, a_store_in_memory_can_be_made_to_fail_before_or_after_a_commit)
{
    for (int applied = 0; applied < 2; applied++) {
        fixture f;
        fixture_open(&f, false);
        have_definition(&f);
        have_instance(&f, "i1", 1000);
        pw_memory_fail_commit(f.store, 2, applied);
        pw_transition t = transition(PW_RUNNING, 0, "{}");
        step(&f, "i1", 1, &t, 2000);
        pw_commit_item item = item_of("i1", 2, &t, 3000);
        EXPECT_INT(pw_store_commit(f.store, &item, 1, &f.err), PAWL_IO);
        EXPECT_INT(pw_store_commit(f.store, &item, 1, &f.err), PAWL_IO);
        EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err);
        EXPECT_INT(get(&f, "i1").token, 2 + applied);
        item = item_of("i1", (uint64_t)(2 + applied), &t, 4000);
        must_commit(&f, &item);
        fixture_done(&f);
    }
}

TEST_MAIN()
