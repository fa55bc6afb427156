/* sqlite_lists.c - labels, tasks of people, incidents, plans, deletion, tokens and requests in a SQLite store: what
 * each costs, however much else there is; and a disk that fills up or fails, memory that runs out,
 * rows that are damaged. */
#include <unistd.h>

#include "failing_disk.h"
#include "fixture.h"
#include "sqlite_sql.h"

static fixture f; /* of the running test */

static void begin(void)
{
    disk_is_well();
    fixture_open(&f, true);
    have_definition(&f);
}

static const char *path(void)
{
    return f.uri + strlen("sqlite:");
}

/* ---- what a step writes */

static uint64_t statements_of(pw_commit_item item)
{
    uint64_t before = counts(&f).statements;
    must_commit(&f, &item);
    return counts(&f).statements - before;
}

static uint64_t statements_of_step(const char *id, uint64_t token, const pw_transition *t)
{
    return statements_of(item_of(id, token, t, 1000));
}

TEST(lists, a_step_writes_labels_tasks_and_claims_only_where_there_are_some)
{
    begin();
    pw_transition plain = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    EXPECT_INT(statements_of_step("i1", 0, &plain), 4); /* begin, insert, insert, commit */
    pw_instance_new n = order_new;
    n.labels = S("{\"a\":\"1\",\"b\":\"2\"}");
    pw_commit_item item = item_of("i2", 0, &plain, 1000);
    item.create = &n;
    EXPECT_INT(statements_of(item), 4 + 2);

    pw_bookmark bookmark = {
        .kind = PW_BOOKMARK_TIMER, .task = S("/"), .visit = 1, .key = S("t"), .due_at = -1
    };
    pw_bookmark_end end = { .visit = 1, .key = S("t") };
    pw_transition opens = plain, ends = plain;
    opens.bookmarks = &bookmark;
    ends.bookmark_ends = &end;
    opens.bookmark_count = ends.bookmark_end_count = 1;
    EXPECT_INT(statements_of_step("i1", 1, &opens), 4 + 1);
    EXPECT_INT(statements_of_step("i1", 2, &ends), 4 + 1);
    bookmark.kind = PW_BOOKMARK_USER;
    bookmark.candidates = S("{\"users\":[\"ann\",\"bob\"],\"groups\":[\"g\"]}");
    bookmark.visit = 2;
    end.visit = 2;
    EXPECT_INT(statements_of_step("i1", 3, &opens), 4 + 1 + 3);

    pw_bookmark_change change = {
        .visit = 2, .key = S("t"), .claimed_by = S("ann"), .claimed_until = -1
    };
    pw_transition changes = plain;
    changes.bookmark_changes = &change;
    changes.bookmark_change_count = 1;
    EXPECT_INT(statements_of_step("i1", 4, &changes), 4 + 2); /* looks, and writes */
    change.assigned_to = S("ann");
    EXPECT_INT(statements_of_step("i1", 5, &changes), 4 + 2 + 2); /* into another list */
    EXPECT_INT(statements_of_step("i1", 6, &ends), 4 + 1 + 1);
    plain.status = PW_COMPLETED;
    EXPECT_INT(statements_of_step("i1", 7, &plain),
               5); /* the status: one more try, and nothing is open */
    bookmark.visit = 3;
    EXPECT_INT(statements_of_step("i2", 1, &opens), 4 + 1 + 3);
    EXPECT_INT(statements_of_step("i2", 2, &plain), 5 + 2); /* ends what is open */
    fixture_done(&f);
}

static pw_fault fault_of(const char *kind, const char *class_, const char *task)
{
    return (pw_fault){ .task = S(task),
                       .kind = S(kind),
                       .class_ = S(class_),
                       .decision = S("incident"),
                       .action = S("look"),
                       .error = S("{}") };
}

TEST(lists, a_step_pays_for_attempts_and_incidents_only_where_there_are_some)
{
    begin();
    pw_transition t = transition(PW_WAITING, 5000, "{}");
    pw_call_intent call = { .task = S("/"),
                            .visit = 1,
                            .kind = S("http"),
                            .endpoint = S("x"),
                            .method = S("GET"),
                            .request = S("{}"),
                            .key = S("k") };
    t.calls = &call;
    t.call_count = 1;
    EXPECT_INT(statements_of_step("i1", 0, &t), 4 + 1);
    pw_call_outcome failed = { .visit = 1, .key = S("k"), .state = PW_CALL_FAILED };
    call.again = true;
    call.request = S("");
    t.outcomes = &failed;
    t.outcome_count = 1;
    EXPECT_INT(statements_of_step("i1", 1, &t), 4 + 2); /* the failure and the next attempt */
    pw_fault fault = fault_of("activity-fault", "other", "/");
    t = transition(PW_FAULTED, PW_WAKE_NEVER, "{}");
    t.error = S("{}");
    t.fault = &fault;
    EXPECT_INT(statements_of_step("i1", 2, &t), 4 + 1);
    t = transition(PW_FAULTED, PW_WAKE_NEVER, "{}");
    EXPECT_INT(statements_of_step("i1", 3, &t), 4); /* a late result */
    t = transition(PW_RUNNING, 0, "{}");
    t.resolution = S("retried");
    EXPECT_INT(statements_of_step("i1", 4, &t), 5 + 1); /* the status: one more try */
    t = transition(PW_FAULTED, PW_WAKE_NEVER, "{}");
    t.error = S("{}");
    EXPECT_INT(statements_of_step("i1", 5, &t), 4 + 1); /* looks whether an incident is open */
    fixture_done(&f);
}

static pw_undo_step undo_of(uint64_t ordinal, const char *key)
{
    return (pw_undo_step){
        .ordinal = ordinal, .task = S("/"), .visit = 1, .key = S(key), .arguments = S("{}")
    };
}

TEST(lists, a_step_pays_one_row_for_each_that_can_be_undone)
{
    begin();
    pw_transition t = transition(PW_WAITING, 5000, "{}");
    EXPECT_INT(statements_of_step("i1", 0, &t), 4);
    uint64_t rows = counts(&f).rows;
    EXPECT_INT(statements_of_step("i1", 1, &t), 4);
    EXPECT_INT(counts(&f).rows - rows, 2); /* the instance and its step */
    pw_undo_step steps[] = { undo_of(1, "a"), undo_of(2, "b") };
    t.undo = steps;
    t.undo_count = 1;
    rows = counts(&f).rows;
    EXPECT_INT(statements_of_step("i1", 2, &t), 4 + 1);
    EXPECT_INT(counts(&f).rows - rows, 2 + 1);
    steps[0] = undo_of(3, "a"); /* the same effect again, and another */
    t.undo_count = 2;
    rows = counts(&f).rows;
    EXPECT_INT(statements_of_step("i1", 3, &t), 4 + 2);
    EXPECT_INT(counts(&f).rows - rows, 2 + 2);
    pw_undo_change done = { .ordinal = 3, .state = PW_UNDO_DONE };
    t.undo_count = 0;
    t.undo_changes = &done;
    t.undo_change_count = 1;
    rows = counts(&f).rows;
    EXPECT_INT(statements_of_step("i1", 4, &t), 4 + 1);
    EXPECT_INT(counts(&f).rows - rows, 2 + 1);
    fixture_done(&f);
}

/* ---- what does not grow */

/* So many more instances, each with a task, labels and a request that are not asked for. */
static void have_others(unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        char id[32], labels[64], correlation[32], key[32], who[64];
        bool seen;
        (void)snprintf(id, sizeof id, "other-%u", i);
        (void)snprintf(labels, sizeof labels, "{\"city\":\"Ulm\",\"n\":\"%u\"}", i);
        (void)snprintf(correlation, sizeof correlation, "c-%u", i);
        (void)snprintf(key, sizeof key, "request:%u", i);
        (void)snprintf(who, sizeof who, "{\"users\":[\"u%u\"],\"groups\":[\"all\"]}", i);
        pw_bookmark bookmarks[] = {
            { .kind = PW_BOOKMARK_USER,
              .task = S("/"),
              .visit = 1,
              .key = S("t"),
              .due_at = -1,
              .candidates = S(who) },
            { .kind = PW_BOOKMARK_TIMER, .task = S("/"), .visit = 2, .key = S("w"), .due_at = -1 },
        };
        pw_transition t = transition(PW_WAITING, 900000 + i, "{}");
        t.bookmarks = bookmarks;
        t.bookmark_count = 2;
        pw_instance_new n = order_new;
        n.labels = S(labels);
        n.correlation = n.business_key = S(correlation);
        pw_commit_item item = item_of(id, 0, &t, 1000);
        item.create = &n;
        item.inbox = (pw_inbox_use){ .key = S(key), .kind = S("start"), .answer = S("{}") };
        must_commit(&f, &item);
        EXPECT_OK(pw_store_request_put(f.store, S("ann"), S(key), S("d"), 5000, &seen, &f.err),
                  f.err);
    }
}

typedef struct bound {
    int at;
    const char *text; /* NULL: the number */
    sqlite3_int64 number;
} bound;

/* Steps of SQLite's machine for one run of a statement; *rows: what it gave. */
static int steps_of(pw_sqlite_sql sql, const bound *values, unsigned *rows)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    EXPECT_INT(sqlite3_open(path(), &db), SQLITE_OK);
    EXPECT_INT(sqlite3_exec(db, "PRAGMA foreign_keys = ON; BEGIN", NULL, NULL, NULL), SQLITE_OK);
    EXPECT_INT(sqlite3_prepare_v2(db, pw_sqlite_sql_text[sql], -1, &statement, NULL), SQLITE_OK);
    for (; values->at; values++)
        EXPECT_INT(values->text
                       ? sqlite3_bind_text(statement, values->at, values->text, -1, SQLITE_STATIC)
                       : sqlite3_bind_int64(statement, values->at, values->number),
                   SQLITE_OK);
    *rows = 0;
    while (sqlite3_step(statement) == SQLITE_ROW)
        ++*rows;
    int steps = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 0);
    EXPECT_INT(sqlite3_finalize(statement), SQLITE_OK);
    EXPECT_INT(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    return steps;
}

#define FROM_THE_FIRST                                                                             \
    { 1, NULL, INT64_MIN }, { 2, NULL, 0 }, { 3, NULL, INT64_MIN }, { 4, "", 0 }, { 5, NULL, 0 },  \
    {                                                                                              \
        6, "", 0                                                                                   \
    }
#define NEWEST                                                                                     \
    { 1, NULL, INT64_MAX }, { 2, "", 0 }, { 3, NULL, 10 }, { 11, NULL, 0 },                        \
    {                                                                                              \
        14, NULL, 0                                                                                \
    }

TEST(lists, a_page_costs_the_same_however_much_else_there_is)
{
    static const struct {
        pw_sqlite_sql sql;
        bound values[12];
        unsigned rows;
    } cases[] = {
        { PW_SQLITE_SQL_OPEN_PERSON, { FROM_THE_FIRST, { 7, NULL, 10 }, { 11, "u:u3", 0 } }, 1 },
        { PW_SQLITE_SQL_OPEN_PERSON,
          { FROM_THE_FIRST, { 7, NULL, 10 }, { 11, "u:nobody", 0 } },
          0 },
        { PW_SQLITE_SQL_OPEN_PERSON, { FROM_THE_FIRST, { 7, NULL, 10 }, { 11, "g:all", 0 } }, 10 },
        { PW_SQLITE_SQL_OPEN_TASKS, { FROM_THE_FIRST, { 7, NULL, 10 } }, 10 },
        { PW_SQLITE_SQL_OPEN_KIND, { FROM_THE_FIRST, { 7, NULL, 10 }, { 11, "timer", 0 } }, 10 },
        { PW_SQLITE_SQL_OPEN_KIND, { FROM_THE_FIRST, { 7, NULL, 10 }, { 11, "child", 0 } }, 0 },
        { PW_SQLITE_SQL_OPEN_ANY, { FROM_THE_FIRST, { 7, NULL, 10 } }, 10 },
        { PW_SQLITE_SQL_OPEN_INSTANCE,
          { FROM_THE_FIRST, { 7, NULL, 10 }, { 12, "other-3", 0 }, { 14, NULL, 0 } },
          2 },
        { PW_SQLITE_SQL_OPEN_AT, { { 1, "other-3", 0 }, { 2, NULL, 1 }, { 3, "t", 0 } }, 1 },
        { PW_SQLITE_SQL_INSTANCE_LIST_LABEL, { NEWEST, { 9, "n", 0 }, { 10, "3", 0 } }, 1 },
        { PW_SQLITE_SQL_INSTANCE_LIST_LABEL, { NEWEST, { 9, "city", 0 }, { 10, "Ulm", 0 } }, 10 },
        { PW_SQLITE_SQL_INSTANCE_LIST_LABEL,
          { NEWEST, { 9, "n", 0 }, { 10, "3", 0 }, { 13, "{\"n\":\"3\",\"city\":\"Ulm\"}", 0 } },
          1 },
        { PW_SQLITE_SQL_INSTANCE_LIST_CORRELATION, { NEWEST, { 8, "c-3", 0 } }, 1 },
        { PW_SQLITE_SQL_INSTANCE_LIST_BUSINESS_KEY, { NEWEST, { 7, "c-3", 0 } }, 1 },
        { PW_SQLITE_SQL_INSTANCE_COUNT_LABEL, { NEWEST, { 9, "n", 0 }, { 10, "3", 0 } }, 1 },
        { PW_SQLITE_SQL_INSTANCE_COUNT_CORRELATION, { NEWEST, { 8, "c-3", 0 } }, 1 },
        { PW_SQLITE_SQL_BOOKMARK_BY_KEY, { { 1, "other-3", 0 }, { 2, "w", 0 } }, 1 },
        { PW_SQLITE_SQL_STEPS, { { 1, "other-3", 0 }, { 2, NULL, 1 }, { 3, NULL, 10 } }, 1 },
        { PW_SQLITE_SQL_OUTBOX,
          { { 1, "other-3", 0 }, { 2, NULL, 0 }, { 3, NULL, 0 }, { 4, NULL, 9 } },
          0 },
        { PW_SQLITE_SQL_DUE,
          { { 1, NULL, 900004 }, { 2, NULL, -1 }, { 3, "", 0 }, { 4, NULL, 10 }, { 5, NULL, -1 } },
          5 },
        { PW_SQLITE_SQL_INSTANCE_DELETE_LOOK, { { 1, "other-3", 0 } }, 1 },
        { PW_SQLITE_SQL_INSTANCE_DELETE_INBOX, { { 1, "other-3", 0 } }, 0 },
        { PW_SQLITE_SQL_INSTANCE_DELETE, { { 1, "other-3", 0 } }, 0 },
        { PW_SQLITE_SQL_ANSWER_EXPIRED, { { 1, NULL, 1000 } }, 1 },
        { PW_SQLITE_SQL_REQUEST_EXPIRED, { { 1, NULL, 1000 } }, 1 },
        { PW_SQLITE_SQL_ANSWERS_EXPIRE, { { 1, NULL, 9000 }, { 2, NULL, 5 } }, 0 },
        { PW_SQLITE_SQL_REQUESTS_EXPIRE, { { 1, NULL, 9000 }, { 2, NULL, 5 } }, 0 },
    };
    int few[PW_LENGTH(cases)];
    unsigned rows = 0;
    begin();
    have_others(0, 20);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        few[i] = steps_of(cases[i].sql, cases[i].values, &rows);
        if (rows != cases[i].rows)
            fail_msg("%s: %u rows", pw_sqlite_sql_name[cases[i].sql], rows);
    }
    have_others(20, 300);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        int many = steps_of(cases[i].sql, cases[i].values, &rows);
        if (many != few[i] || rows != cases[i].rows)
            fail_msg("%s: %d steps, %d among few; %u rows", pw_sqlite_sql_name[cases[i].sql], many,
                     few[i], rows);
    }
    fixture_done(&f);
}

/* So many more incidents of instances of their own, each later than those before. */
static void have_incidents(unsigned first, unsigned count, const char *kind, const char *class_,
                           const char *task, bool over)
{
    for (unsigned i = first; i < first + count; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "faulted-%u", i);
        pw_fault fault = fault_of(kind, class_, task);
        pw_transition t = transition(PW_FAULTED, PW_WAKE_NEVER, "{}");
        t.fault = &fault;
        step(&f, id, 0, &t, 1000 + i);
        t = transition(PW_RUNNING, 0, "{}");
        t.resolution = S("retried");
        if (over)
            step(&f, id, 1, &t, 5000 + i);
    }
}

#define NEWEST_INCIDENTS                                                                           \
    { 1, NULL, INT64_MAX }, { 2, "", 0 }, { 3, NULL, 0 }, { 4, NULL, 10 }, { 5, NULL, 0 }

TEST(lists, a_page_of_open_incidents_costs_the_same_however_many_others_there_are)
{
    static const struct {
        pw_sqlite_sql sql;
        bound values[9];
        unsigned rows;
    } cases[] = {
        { PW_SQLITE_SQL_INCIDENTS_OPEN, { NEWEST_INCIDENTS }, 10 },
        { PW_SQLITE_SQL_INCIDENTS_OPEN_NAME, { NEWEST_INCIDENTS, { 9, "order", 0 } }, 10 },
        { PW_SQLITE_SQL_INCIDENTS_OPEN_NAME, { NEWEST_INCIDENTS, { 9, "none", 0 } }, 0 },
        { PW_SQLITE_SQL_INCIDENTS_OPEN_KIND, { NEWEST_INCIDENTS, { 10, "k", 0 } }, 3 },
        { PW_SQLITE_SQL_INCIDENTS_OPEN_CLASS, { NEWEST_INCIDENTS, { 11, "c", 0 } }, 3 },
        { PW_SQLITE_SQL_INCIDENTS_OPEN_TASK, { NEWEST_INCIDENTS, { 12, "/t", 0 } }, 3 },
        { PW_SQLITE_SQL_INCIDENTS_OF, { NEWEST_INCIDENTS, { 6, "faulted-1", 0 } }, 1 },
        { PW_SQLITE_SQL_INCIDENTS,
          { { 1, NULL, INT64_MAX }, { 2, "", 0 }, { 3, NULL, 0 }, { 4, NULL, 10 }, { 5, NULL, 1 } },
          10 },
        { PW_SQLITE_SQL_INCIDENT_GET, { { 1, "faulted-1", 0 }, { 2, NULL, 1 } }, 1 },
        { PW_SQLITE_SQL_FAULT_IS_OPEN, { { 1, "faulted-1", 0 } }, 1 },
        /* what came up before an instant, as count and list give it */
        { PW_SQLITE_SQL_INCIDENTS_OPEN,
          { { 1, NULL, 1003 }, { 2, "", 0 }, { 3, NULL, 0 }, { 4, NULL, 10 }, { 5, NULL, 0 } },
          3 },
        { PW_SQLITE_SQL_INCIDENT_COUNT_OPEN,
          { { 1, NULL, 1010 }, { 2, "", 0 }, { 3, NULL, 0 }, { 5, NULL, 0 } },
          1 },
        { PW_SQLITE_SQL_INCIDENT_COUNT_OPEN_CLASS, { NEWEST_INCIDENTS, { 11, "c", 0 } }, 1 },
        { PW_SQLITE_SQL_INCIDENT_COUNT_OPEN_KIND, { NEWEST_INCIDENTS, { 10, "k", 0 } }, 1 },
        { PW_SQLITE_SQL_INCIDENT_COUNT_OPEN_TASK, { NEWEST_INCIDENTS, { 12, "/t", 0 } }, 1 },
        { PW_SQLITE_SQL_INCIDENT_COUNT_OPEN_NAME, { NEWEST_INCIDENTS, { 9, "none", 0 } }, 1 },
    };
    int few[PW_LENGTH(cases)];
    unsigned rows = 0;
    begin();
    have_incidents(0, 3, "k", "c", "/t", false);
    have_incidents(3, 17, "other", "other", "/other", false);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        few[i] = steps_of(cases[i].sql, cases[i].values, &rows);
        if (rows != cases[i].rows)
            fail_msg("%s: %u rows", pw_sqlite_sql_name[cases[i].sql], rows);
    }
    have_incidents(20, 100, "other", "other", "/other", false);
    have_incidents(120, 200, "k", "c", "/t", true);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        int many = steps_of(cases[i].sql, cases[i].values, &rows);
        if (many != few[i] || rows != cases[i].rows)
            fail_msg("%s: %d steps, %d among few; %u rows", pw_sqlite_sql_name[cases[i].sql], many,
                     few[i], rows);
    }
    fixture_done(&f);
}

/* So many more steps of one plan, in a state. */
static void have_undo(unsigned first, unsigned count, pw_undo_state state)
{
    for (unsigned i = first; i < first + count; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "key-%u", i);
        pw_undo_step u = undo_of(i + 1, key);
        u.state = state;
        pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
        t.undo = &u;
        t.undo_count = 1;
        step(&f, "i1", i, &t, 1000 + i);
    }
}

#define PLAN_OF_I1                                                                                 \
    { 1, "i1", 0 }, { 2, NULL, INT64_MAX }, { 3, NULL, 10 }

TEST(lists, a_page_of_a_plan_costs_the_same_however_much_of_it_is_done)
{
    static const struct {
        pw_sqlite_sql sql;
        bound values[5];
        unsigned rows;
    } cases[] = {
        { PW_SQLITE_SQL_UNDO_LEFT, { PLAN_OF_I1 }, 10 },
        { PW_SQLITE_SQL_UNDO_LEFT, { PLAN_OF_I1, { 4, "[\"unknown\"]", 0 } }, 5 },
        { PW_SQLITE_SQL_UNDO_LEFT, { PLAN_OF_I1, { 5, "/none", 0 } }, 0 },
        { PW_SQLITE_SQL_UNDO_LEFT_COUNT, { { 1, "i1", 0 }, { 2, NULL, INT64_MAX } }, 1 },
        { PW_SQLITE_SQL_UNDO, { PLAN_OF_I1 }, 10 }, /* a page of all has ten rows as well */
    };
    int few[PW_LENGTH(cases)];
    unsigned rows = 0;
    begin();
    have_undo(0, 20, PW_UNDO_REGISTERED);
    have_undo(20, 5, PW_UNDO_UNKNOWN);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        few[i] = steps_of(cases[i].sql, cases[i].values, &rows);
        EXPECT_INT(rows, cases[i].rows);
    }
    have_undo(25, 300, PW_UNDO_DONE);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        int many = steps_of(cases[i].sql, cases[i].values, &rows);
        if (many != few[i] || rows != cases[i].rows)
            fail_msg("%s: %d steps, %d before; %u rows", pw_sqlite_sql_name[cases[i].sql], many,
                     few[i], rows);
    }
    fixture_done(&f);
}

TEST(lists, what_is_left_of_a_plan_is_read_along_its_own_index)
{
    begin();
    have_undo(0, 3, PW_UNDO_REGISTERED);
    sqlite3 *db = NULL;
    EXPECT_INT(sqlite3_open(path(), &db), SQLITE_OK);
    EXPECT_INT(sqlite3_exec(db, "DROP INDEX compensation_left", NULL, NULL, NULL), SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    const pw_undo_filter left = { .below = UINT64_MAX,
                                  .states = PW_BIT(PW_UNDO_REGISTERED) | PW_BIT(PW_UNDO_UNKNOWN),
                                  .limit = 9 };
    const pw_undo_filter all = { .below = UINT64_MAX, .limit = 9 };
    pw_undo_row *rows = NULL;
    size_t count = 0;
    uint64_t counted = 0;
    bool more = false;
    EXPECT(pw_store_undo(f.store, S("i1"), &left, &rows, &count, &more, &f.arena, &f.err) !=
           PAWL_OK);
    EXPECT_CONTAINS(f.err.message, "no such index: compensation_left");
    EXPECT(pw_store_undo_count(f.store, S("i1"), &left, &counted, &f.err) != PAWL_OK);
    EXPECT_CONTAINS(f.err.message, "no such index: compensation_left");
    EXPECT_OK(pw_store_undo(f.store, S("i1"), &all, &rows, &count, &more, &f.arena, &f.err), f.err);
    EXPECT_INT(count, 3);
    fixture_done(&f);
}

/* The lists of each of them are read to the page's end at most. */
TEST(lists, a_page_of_a_person_is_read_in_one_transaction_that_ends_with_it)
{
    begin();
    have_others(0, 40);
    const pw_str groups[] = { S("all"), S("none") };
    const pw_bookmark_filter filter = {
        .person = S("u7"), .groups = groups, .group_count = 2, .limit = 5
    };
    pw_open_bookmark *rows = NULL;
    size_t count = 0;
    pw_str next;
    EXPECT_OK(pw_store_open_bookmarks(f.store, &filter, &rows, &count, &next, &f.arena, &f.err),
              f.err);
    EXPECT_INT(count, 5);
    /* A reader that had kept its transaction would not see this, and would keep the log from being
     * emptied. */
    pw_transition t = transition(PW_CANCELLED, PW_WAKE_NEVER, "{}");
    step(&f, "other-0", 1, &t, 2000);
    EXPECT_OK(pw_store_open_bookmarks(f.store, &filter, &rows, &count, &next, &f.arena, &f.err),
              f.err);
    EXPECT_STR(rows[0].instance, "other-1");
    sqlite3 *db = NULL;
    int left = -1, done = -1;
    EXPECT_INT(sqlite3_open(path(), &db), SQLITE_OK);
    EXPECT_INT(sqlite3_exec(db, "SELECT 1 FROM instance", NULL, NULL, NULL), SQLITE_OK);
    EXPECT_INT(sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_RESTART, &left, &done),
               SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    fixture_done(&f);
}

/* ---- the disk, and memory */

static pawl_code set_breaker(void)
{
    const pw_breaker_record open = {
        .service = S("api"), .state = PW_BREAKER_OPEN, .open_until_ms = 9000, .reason = S("down")
    };
    pw_breaker_record there;
    bool won = false;
    return pw_store_breaker_set(f.store, &open, &won, &there, &f.arena, &f.err);
}

/* One call after the other; those after the first two may be made again. */
static pawl_code live(int call)
{
    pw_bookmark task = { .kind = PW_BOOKMARK_USER,
                         .task = S("/"),
                         .visit = 1,
                         .key = S("t"),
                         .due_at = -1,
                         .candidates = S("{\"groups\":[\"g\"]}") };
    pw_bookmark_change change = {
        .visit = 1, .key = S("t"), .assigned_to = S("ann"), .claimed_until = -1
    };
    const pw_principal token = { .id = S("t1"),
                                 .name = S("ann"),
                                 .digest = S("d1"),
                                 .roles = S("[]"),
                                 .expires_ms = -1,
                                 .revoked_ms = -1 };
    pw_instance_new n = order_new;
    n.labels = S("{\"city\":\"Ulm\"}");
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    pw_commit_item item = item_of("i1", (uint64_t)call, &t, 1000);
    uint32_t deleted = 0;
    bool seen = false;
    pw_fault fault = fault_of("activity-fault", "other", "/");
    pw_undo_step undo = undo_of((uint64_t)call, "a");
    pw_undo_change done = { .ordinal = 2, .state = PW_UNDO_DONE, .visit = 9 };
    switch (call) {
    case 0:
        item.create = &n;
        t.bookmarks = &task;
        t.bookmark_count = 1;
        break;
    case 1:
        t.bookmark_changes = &change;
        t.bookmark_change_count = 1;
        t.undo = &undo;
        t.undo_count = 1;
        break;
    case 2:
        t.status = PW_FAULTED;
        t.fault = &fault;
        t.undo = &undo; /* done again: it moves */
        t.undo_count = 1;
        break;
    case 3:
        t.resolution = S("retried");
        t.undo_changes = &done;
        t.undo_change_count = 1;
        break;
    case 4:
        t.status = PW_CANCELLED; /* ends the task */
        item.inbox =
            (pw_inbox_use){ .key = S("request:k"), .kind = S("cancel"), .answer = S("{}") };
        break;
    case 5:
        return pw_store_principal_put(f.store, &token, &f.err);
    case 6:
        return pw_store_principal_revoke(f.store, S("t1"), S("root"), 5, &f.err);
    case 7:
        return pw_store_request_put(f.store, S("ann"), S("k"), S("d"), 5, &seen, &f.err);
    case 8:
        return pw_store_requests_expire(f.store, 9000, 9, &deleted, &f.err);
    case 9:
        return pw_store_answers_expire(f.store, 9000, 9, &deleted, &f.err);
    case 10:
        return pw_store_instance_delete(f.store, S("i1"), 5, &f.err);
    case 11:
        return set_breaker();
    default:
        return PAWL_STATE;
    }
    pawl_code code = pw_store_commit(f.store, &item, 1, &f.err);
    return code == PAWL_OK ? item.code : code;
}
enum { CALLS = 12 };

TEST(lists, a_breaker_that_the_table_refuses_is_an_error_and_no_lost_race)
{
    begin();
    sqlite3 *db = NULL;
    EXPECT_INT(sqlite3_open(path(), &db), SQLITE_OK);
    EXPECT_INT(sqlite3_exec(db,
                            "CREATE TRIGGER no_breaker BEFORE INSERT ON breaker "
                            "BEGIN SELECT RAISE(ABORT, 'none is taken'); END",
                            NULL, NULL, NULL),
               SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    EXPECT_INT(set_breaker(), PAWL_INVALID);
    EXPECT_CONTAINS(f.err.message, "none is taken");
    fixture_done(&f);
}

/* Whose task, labels, token, answers and instance there are after so many calls; an incident, open or over; the step of a
 * plan, at its first place, its second, or done; a breaker. */
static const char *const lives[CALLS + 1] = {
    "",
    "g L I",
    "a L I 1",
    "a L I F 2",
    "a L I f u",
    "L A I f u",
    "L A I f u T",
    "L A I f u R",
    "L A I f u R Q",
    "L A I f u R",
    "L I f u R",
    "R",
    "R B",
};

static bool has_task(const char *person, const char *group)
{
    const pw_str groups[] = { S(group) };
    const pw_bookmark_filter filter = {
        .person = S(person), .groups = groups, .group_count = 1, .limit = 9
    };
    pw_open_bookmark *rows = NULL;
    size_t count = 0;
    pw_str next;
    EXPECT_OK(pw_store_open_bookmarks(f.store, &filter, &rows, &count, &next, &f.arena, &f.err),
              f.err);
    return count > 0;
}

static int table_count(const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    EXPECT_INT(sqlite3_open(path(), &db), SQLITE_OK);
    EXPECT_INT(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    EXPECT_INT(sqlite3_step(statement), SQLITE_ROW);
    int count = sqlite3_column_int(statement, 0);
    EXPECT_INT(sqlite3_finalize(statement), SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    return count;
}

static bool is_after(int calls)
{
    static char text[64];
    pw_label label = { S("city"), S("Ulm") };
    const pw_instance_filter labelled = { .limit = 9, .labels = &label, .label_count = 1 };
    uint64_t statuses[PW_STATUS_COUNT], found = 0;
    pw_inbox_row answer;
    pw_principal token;
    EXPECT_OK(pw_store_instance_count(f.store, &labelled, statuses, &f.err), f.err);
    for (size_t i = 0; i < PW_STATUS_COUNT; i++)
        found += statuses[i];
    bool answered =
        pw_store_inbox_get(f.store, S("i1"), S("request:k"), &answer, &f.arena, &f.err) == PAWL_OK;
    bool known = pw_store_principal_get(f.store, S("d1"), &token, &f.arena, &f.err) == PAWL_OK;
    (void)snprintf(text, sizeof text, "%s%s%s%s%s%s%s%s%s%s%s%s%s", has_task("x", "g") ? "g " : "",
                   has_task("ann", "x") ? "a " : "", found ? "L " : "", answered ? "A " : "",
                   table_count("SELECT count(*) FROM instance") ? "I " : "",
                   table_count("SELECT count(*) FROM fault WHERE resolved_ms IS NULL") ? "F " : "",
                   table_count("SELECT count(*) FROM fault WHERE resolved_ms IS NOT NULL") ? "f " : "",
                   table_count("SELECT count(*) FROM compensation WHERE ordinal = 1") ? "1 " : "",
                   table_count("SELECT count(*) FROM compensation WHERE ordinal = 2 "
                               "AND ended_ms IS NULL")
                       ? "2 "
                       : "",
                   table_count("SELECT count(*) FROM compensation WHERE ordinal = 2 "
                               "AND state = 'done' AND ended_ms = 1000 AND carried_out_by = 9")
                       ? "u "
                       : "",
                   !known                  ? ""
                   : token.revoked_ms >= 0 ? "R "
                                           : "T ",
                   table_count("SELECT count(*) FROM request") ? "Q " : "",
                   table_count("SELECT count(*) FROM breaker WHERE epoch = 1") ? "B " : "");
    size_t len = strlen(text);
    if (len > 0)
        text[len - 1] = '\0';
    bool is = strcmp(text, lives[calls]) == 0;
    if (is && calls == CALLS) /* nothing is left behind */
        EXPECT_INT(
            table_count("SELECT (SELECT count(*) FROM label) + (SELECT count(*) FROM bookmark) + "
                        "(SELECT count(*) FROM bookmark_person) + (SELECT count(*) FROM step) + "
                        "(SELECT count(*) FROM inbox) + (SELECT count(*) FROM fault) + "
                        "(SELECT count(*) FROM compensation)"),
            0);
    return is;
}

TEST(lists, a_full_disk_at_any_write_leaves_nothing_of_a_call)
{
    begin();
    int failures = 0;
    for (int call = 0; call < CALLS; call++) {
        pawl_code code = PAWL_IO;
        for (int n = 1; n < 80 && code != PAWL_OK; n++) {
            atomic_store(&disk.write_code, SQLITE_FULL);
            atomic_store(&disk.write_in, n);
            code = live(call);
            disk_is_well();
            if (code == PAWL_OK)
                break;
            failures++;
            EXPECT_INT(code, PAWL_IO);
            EXPECT_CONTAINS(f.err.message, "the disk is full");
            EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err);
            EXPECT(is_after(call));
        }
        EXPECT_INT(code, PAWL_OK);
        EXPECT(is_after(call + 1));
    }
    EXPECT(failures >= CALLS * 3);
    fixture_done(&f);
}

TEST(lists, a_failed_sync_leaves_all_of_a_call_or_nothing)
{
    begin();
    for (int call = 0; call < CALLS; call++) {
        atomic_store(&disk.sync_in, 1);
        EXPECT_INT(live(call), PAWL_IO);
        disk_is_well();
        EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err);
        if (!is_after(call + 1)) {
            EXPECT(is_after(call));
            EXPECT_INT(live(call), PAWL_OK);
        }
        EXPECT(is_after(call + 1));
    }
    fixture_done(&f);
}

TEST(lists, memory_that_runs_out_inside_sqlite_leaves_all_of_a_call_or_nothing)
{
    let_memory_fail();
    begin();
    for (int call = 0; call < CALLS; call++) {
        pawl_code code = PAWL_NO_MEMORY;
        bool done = false;
        for (int n = 1; n < 8000 && !done; n += n < 50 ? 1 : n / 15) {
            EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err); /* its statements are made anew */
            atomic_store(&memory_in, n);
            code = live(call);
            atomic_store(&memory_in, 0);
            EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY || code == PAWL_IO);
            if (code == PAWL_IO) /* in the COMMIT itself */
                EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err);
            done = is_after(call + 1);
            EXPECT(done || (code != PAWL_OK && is_after(call)));
        }
        EXPECT(done);
    }
    fixture_done(&f);
}

/* ---- damage */

TEST(lists, a_damaged_row_is_named)
{
    static const char persons[] = "person", plain[] = "plain", count[] = "count",
                      incident[] = "incident", breaker[] = "breaker", undo[] = "undo";
    static const struct {
        const char *how, *change, *message;
    } cases[] = {
        { plain, "UPDATE bookmark SET priority = 2147483648",
          "table bookmark, row 'other-0': its priority is out of range" },
        { plain, "UPDATE bookmark SET priority = -2147483649",
          "table bookmark, row 'other-0': its priority is out of range" },
        { plain, "UPDATE instance SET token = -1",
          "table instance, row 'other-0': its token is negative" },
        { persons, "UPDATE bookmark_person SET visit = -1",
          "table bookmark_person, row 'u:u0': its visit is negative" },
        { count, "UPDATE instance SET status = 'lost'",
          "table instance, row 'lost': its status is none that this program knows" },
        { incident, "UPDATE fault SET visit = -1",
          "table fault, row 'faulted-0': its visit is negative" },
        { incident, "UPDATE fault SET attempt = 4294967296",
          "table fault, row 'faulted-0': its attempt is out of range" },
        { incident, "UPDATE instance SET status = 'lost'",
          "table instance, row 'faulted-0': its status is none that this program knows" },
        { undo, "UPDATE compensation SET state = 'gone'",
          "table compensation, row 'i1': its state is none that this program knows" },
        { undo, "UPDATE compensation SET ordinal = -1",
          "table compensation, row 'i1': its ordinal is negative" },
        { undo, "UPDATE compensation SET visit = -1",
          "table compensation, row 'i1': its visit is negative" },
        { undo, "UPDATE compensation SET carried_out_by = -1",
          "table compensation, row 'i1': the visit of what carries it out is negative" },
        { breaker, "UPDATE breaker SET state = 'ajar'",
          "table breaker, row 'api': its state is none that this program knows" },
        { breaker, "UPDATE breaker SET epoch = -1",
          "table breaker, row 'api': its epoch is negative" },
        { breaker, "UPDATE breaker SET forced = 'ajar'",
          "table breaker, row 'api': it is forced to what this program does not know" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        begin();
        have_others(0, 1);
        have_incidents(0, 1, "k", "c", "/t", false);
        if (cases[i].how == undo)
            have_undo(0, 1, PW_UNDO_REGISTERED);
        (void)set_breaker();
        pw_store_close(f.store);
        sqlite3 *db = NULL;
        char sql[256];
        (void)snprintf(sql, sizeof sql, "PRAGMA ignore_check_constraints = 1; %s", cases[i].change);
        EXPECT_INT(sqlite3_open(path(), &db), SQLITE_OK);
        EXPECT_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        EXPECT_INT(sqlite3_close(db), SQLITE_OK);
        pw_store_options options = { S(f.uri), PW_STORE_OWN, false };
        EXPECT_OK(pw_store_open(&f.store, &options, &f.err), f.err);
        const pw_bookmark_filter filter = { .person = S(cases[i].how == persons ? "u0" : ""),
                                            .limit = 9 };
        const pw_instance_filter any = { .limit = 9 };
        uint64_t counts[PW_STATUS_COUNT];
        const pw_incident_filter incidents = { .limit = 9 };
        pw_open_bookmark *rows = NULL;
        pw_incident_row *faults = NULL;
        pw_breaker_record *breakers = NULL;
        const pw_undo_filter steps = { .below = UINT64_MAX, .limit = 9 };
        pw_undo_row *plan = NULL;
        bool more = false;
        size_t got = 0;
        pw_str next;
        pawl_code code = PAWL_OK;
        if (cases[i].how == count)
            code = pw_store_instance_count(f.store, &any, counts, &f.err);
        else if (cases[i].how == incident)
            code = pw_store_incidents(f.store, &incidents, &faults, &got, &next, &f.arena, &f.err);
        else if (cases[i].how == undo)
            code = pw_store_undo(f.store, S("i1"), &steps, &plan, &got, &more, &f.arena, &f.err);
        else if (cases[i].how == breaker)
            code = pw_store_breakers(f.store, &breakers, &got, &f.arena, &f.err);
        else
            code = pw_store_open_bookmarks(f.store, &filter, &rows, &got, &next, &f.arena, &f.err);
        EXPECT_INT(code, PAWL_CORRUPT);
        EXPECT_CONTAINS(f.err.message, cases[i].message);
        fixture_done(&f);
        EXPECT_INT(unlink(path()), 0);
    }
}

TEST(lists, a_store_without_its_secret_is_damaged)
{
    begin();
    pw_store_close(f.store);
    sqlite3 *db = NULL;
    EXPECT_INT(sqlite3_open(path(), &db), SQLITE_OK);
    EXPECT_INT(
        sqlite3_exec(db, "PRAGMA ignore_check_constraints = 1; UPDATE store_info SET secret = ''",
                     NULL, NULL, NULL),
        SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    pw_store_options options = { S(f.uri), PW_STORE_OWN, false };
    EXPECT_INT(pw_store_open(&f.store, &options, &f.err), PAWL_CORRUPT);
    EXPECT_CONTAINS(f.err.message, "is damaged (table store_info): restore it from a backup");
    pw_arena_done(&f.arena);
}

TEST_MAIN()
