/* sqlite_audit.c - findings that only somebody else's hand can make: rows of a SQLite store are changed behind its back. */
#include <sqlite3.h>

#include "fixture.h"

static fixture f; /* of the running test */

static void begin(void)
{
    fixture_open(&f, true);
    have_definition(&f);
}

static void raw(const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    EXPECT_INT(sqlite3_open(f.uri + strlen("sqlite:"), &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
}

/* As in conformance_audit.c. */
static const char *found(pw_audit_kind kind)
{
    static char text[512];
    pw_audit_row *rows = NULL;
    size_t count = 0;
    uint32_t looked = 0;
    pw_str next = { "", 0 };
    text[0] = '\0';
    do {
        EXPECT_OK(pw_store_audit(f.store, kind, PW_ALL_PARTITIONS, 100000, next, 2, &rows, &count, &looked, &next, &f.arena, &f.err),
                  f.err);
        for (size_t i = 0; i < count; i++)
            (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s" PW_FMT ":" PW_FMT ":%llu:" PW_FMT,
                           text[0] ? " " : "", PW_ARG(rows[i].instance), PW_ARG(rows[i].how),
                           (unsigned long long)rows[i].number, PW_ARG(rows[i].what));
    } while (next.len > 0);
    return text;
}

static void have_steps(const char *id, uint64_t steps, pw_status last)
{
    for (uint64_t token = 0; token < steps; token++) {
        pw_transition t = transition(token + 1 == steps ? last : PW_RUNNING, PW_WAKE_NEVER, "{}");
        step(&f, id, token, &t, 1000);
    }
}

TEST(sqlite, a_log_that_lacks_steps_is_found)
{
    begin();
    have_steps("a", 5, PW_SUSPENDED);
    have_steps("b", 3, PW_SUSPENDED);
    have_steps("c", 2, PW_SUSPENDED);
    have_steps("d", 4, PW_SUSPENDED);
    have_steps("good", 9, PW_SUSPENDED);
    EXPECT_TEXT(found(PW_AUDIT_GAP), "");
    raw("DROP TRIGGER step_is_never_deleted_alone;"
        "DELETE FROM step WHERE instance = 'a' AND sequence IN (2, 4);" /* in the middle */
        "DELETE FROM step WHERE instance = 'b' AND sequence = 1;"       /* the first */
        "DELETE FROM step WHERE instance = 'c';"                        /* all */
        "DELETE FROM step WHERE instance = 'd' AND sequence = 4;");     /* the last */
    EXPECT_TEXT(found(PW_AUDIT_GAP), "c:last:2: d:last:4: a:before:3: a:before:5: b:before:2:");
    raw("UPDATE instance SET token = 7 WHERE id = 'good'");
    EXPECT_TEXT(found(PW_AUDIT_GAP), "c:last:2: d:last:4: a:before:3: a:before:5: b:before:2: good:behind:8: good:behind:9:");
    fixture_done(&f);
}

TEST(sqlite, a_log_that_has_been_shortened_from_its_beginning_is_none)
{
    begin();
    have_steps("old", 5, PW_COMPLETED);
    have_steps("gone", 3, PW_COMPLETED);
    have_steps("torn", 5, PW_COMPLETED);
    raw("DROP TRIGGER step_is_never_deleted_alone;"
        "DELETE FROM step WHERE instance = 'old' AND sequence < 4;"
        "DELETE FROM step WHERE instance = 'gone';"
        "DELETE FROM step WHERE instance = 'torn' AND sequence = 3");
    EXPECT_TEXT(found(PW_AUDIT_GAP), "torn:before:4:");
    fixture_done(&f);
}

TEST(sqlite, a_bookmark_that_outlives_its_instance_is_found)
{
    begin();
    pw_bookmark bookmark = { .kind = PW_BOOKMARK_USER, .task = S("/do/0"), .visit = 4, .key = S("approve"), .due_at = -1 };
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.bookmarks = &bookmark;
    t.bookmark_count = 1;
    step(&f, "i1", 0, &t, 1000);
    t = transition(PW_COMPLETED, PW_WAKE_NEVER, "{}");
    step(&f, "i1", 1, &t, 2000);
    EXPECT_TEXT(found(PW_AUDIT_BOOKMARK), "");
    raw("UPDATE bookmark SET ended_ms = NULL, consumed = 0");
    EXPECT_TEXT(found(PW_AUDIT_BOOKMARK), "i1:ended:4:approve");
    fixture_done(&f);
}

TEST(sqlite, an_event_that_nobody_publishes_is_found)
{
    begin();
    have_steps("i1", 3, PW_SUSPENDED);
    raw("INSERT INTO outbox (instance, step, ordinal, type, source, created_ms, payload) VALUES"
        " ('i1', 1, 0, 't', 's', 1000, '{}'), ('i1', 2, 0, 't', 's', 1000, '{}'), ('i1', 2, 1, 't', 's', 1000, '{}');"
        "INSERT INTO outbox_delivery (instance, step, ordinal, sink, partition, state, next_at, created_ms) VALUES"
        " ('i1', 1, 0, 'shop', 0, 'pending', 2000, 1000), ('i1', 2, 0, 'shop', 0, 'pending', NULL, 1000),"
        " ('i1', 2, 0, 'log', 0, 'pending', 200000, 1000), ('i1', 2, 1, 'bus', 0, 'pending', NULL, 1000)");
    EXPECT_TEXT(found(PW_AUDIT_EVENT), "i1:held:2:bus i1:late:1:shop");
    raw("UPDATE outbox_delivery SET state = 'dead', next_at = NULL, ended_ms = 3000 WHERE step = 1");
    EXPECT_TEXT(found(PW_AUDIT_EVENT), "i1:held:2:bus i1:held:2:shop"); /* a dead letter lets them go */
    fixture_done(&f);
}

TEST_MAIN()
