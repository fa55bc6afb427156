/* conformance_bulk.c - what both stores promise about bulk operations: compare and set, pages at
 * work, failures that are kept, lists. */
#include <sqlite3.h>

#include "conformance.h"

static pw_bulk bulk(const char *id, int64_t created_ms)
{
    return (pw_bulk){ .id = S(id),
                      .request = S("{\"action\":\"retry\"}"),
                      .actor = S("kim"),
                      .created_ms = created_ms,
                      .counted = 250,
                      .lease_ms = -1,
                      .changed_ms = created_ms,
                      .ended_ms = -1 };
}

static bool set(fixture *f, const pw_bulk *b, const pw_bulk_failure *failures, size_t count)
{
    bool won = false;
    EXPECT_OK(pw_store_bulk_set(f->store, b, failures, count, &won, &f->err), f->err);
    return won;
}

static pw_bulk read_back(fixture *f, const char *id, size_t expected, pw_bulk_failure **failures)
{
    pw_bulk out;
    pw_bulk_failure *list = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_bulk_get(f->store, S(id), &out, &list, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, expected);
    if (failures)
        *failures = list;
    return out;
}

STORE_TEST(a_bulk_operation_is_read_back_whole)
{
    pw_bulk b = bulk("b1", 1000), read;
    b.cursor = S("1-5-7-i1");
    b.page = S("[\"i3-4\"]");
    b.node = S("node-1");
    b.lease_ms = 31000;
    b.done = 100;
    b.skipped = 3;
    EXPECT(set(f, &b, NULL, 0));
    restart(f);
    read = read_back(f, "b1", 0, NULL);
    EXPECT_STR(read.id, "b1");
    EXPECT_STR(read.request, "{\"action\":\"retry\"}");
    EXPECT_STR(read.actor, "kim");
    EXPECT_INT(read.created_ms, 1000);
    EXPECT_INT(read.epoch, 1);
    EXPECT_INT(read.state, PW_BULK_RUNNING);
    EXPECT_STR(read.cursor, "1-5-7-i1");
    EXPECT_STR(read.page, "[\"i3-4\"]");
    EXPECT_INT(read.counted, 250);
    EXPECT_INT(read.done, 100);
    EXPECT_INT(read.skipped, 3);
    EXPECT_INT(read.failed, 0);
    EXPECT_STR(read.node, "node-1");
    EXPECT_INT(read.lease_ms, 31000);
    EXPECT_INT(read.ended_ms, -1);
    EXPECT_STR(read.stopped_by, "");
    read.state = PW_BULK_DONE;
    read.page = read.cursor = read.node = S("");
    read.changed_ms = 2000;
    read.stopped_by = S("ann");
    EXPECT(set(f, &read, NULL, 0));
    read = read_back(f, "b1", 0, NULL);
    EXPECT_INT(read.epoch, 2);
    EXPECT_INT(read.state, PW_BULK_DONE);
    EXPECT_STR(read.page, "");
    EXPECT_INT(read.lease_ms, -1); /* it is nobody's */
    EXPECT_INT(read.changed_ms, 2000);
    EXPECT_INT(read.ended_ms, 2000);
    EXPECT_STR(read.stopped_by, "ann");
}

STORE_TEST(a_bulk_operation_is_set_by_who_has_read_it)
{
    const pw_bulk_failure failure = { S("i1"), S("state"), S("it has ended") };
    pw_bulk b = bulk("b1", 1000), late;
    EXPECT(set(f, &b, NULL, 0));
    EXPECT(!set(f, &b, NULL, 0)); /* somebody was first */
    late = b = read_back(f, "b1", 0, NULL);
    b.done = 10;
    b.request = S("{}"); /* what was wanted stays */
    b.counted = 7;
    EXPECT(set(f, &b, NULL, 0));
    late.done = 99;
    late.failed = 1;
    EXPECT(!set(f, &late, &failure, 1)); /* nor is its failure written */
    b = read_back(f, "b1", 0, NULL);
    EXPECT_INT(b.done, 10);
    EXPECT_INT(b.failed, 0);
    EXPECT_INT(b.counted, 250);
    EXPECT_STR(b.request, "{\"action\":\"retry\"}");
    pw_bulk other = bulk("b2", 1000);
    other.epoch = 4; /* that is not there */
    EXPECT(!set(f, &other, NULL, 0));
    EXPECT_INT(pw_store_bulk_get(f->store, S("b2"), &other, NULL, NULL, &f->arena, &f->err),
               PAWL_NOT_FOUND);
    EXPECT_INT(f->err.reason, PAWL_REASON_NO_BULK);
}

STORE_TEST(of_failures_the_first_thousand_are_kept_in_their_order)
{
    enum { PAGE = 600 };
    static char names[2 * PAGE][8];
    pw_bulk_failure page[2 * PAGE], *kept = NULL;
    for (size_t i = 0; i < PW_LENGTH(page); i++) {
        (void)snprintf(names[i], sizeof names[i], "i%zu", i);
        page[i] = (pw_bulk_failure){ S(names[i]), S("state"), S("no such task") };
    }
    pw_bulk b = bulk("b1", 1000);
    EXPECT(set(f, &b, NULL, 0));
    for (size_t at = 0; at < 2; at++) {
        b.epoch = at + 1;
        b.failed += PAGE;
        EXPECT(set(f, &b, page + at * PAGE, PAGE));
    }
    b.epoch = 3; /* nothing of what fails now has room */
    b.failed++;
    EXPECT(set(f, &b, page, 1));
    pw_bulk other = bulk("b0", 1000);
    other.failed = 1;
    EXPECT(set(f, &other, page + 7, 1));
    restart(f);
    EXPECT_INT(read_back(f, "b1", 1000, &kept).failed, 1201);
    EXPECT_STR(kept[0].instance, "i0");
    EXPECT_STR(kept[0].code, "state");
    EXPECT_STR(kept[0].message, "no such task");
    EXPECT_STR(kept[599].instance, "i599");
    EXPECT_STR(kept[600].instance, "i600");
    EXPECT_STR(kept[999].instance, "i999");
    (void)read_back(f, "b0", 1, &kept);
    EXPECT_STR(kept[0].instance, "i7");
}

static void listed(fixture *f, bool at_work, const char *after, uint32_t limit,
                   const char *expected)
{
    pw_bulk *rows = NULL;
    size_t count = 0;
    char names[64] = "";
    EXPECT_OK(pw_store_bulks(f->store, at_work, S(after), limit, &rows, &count, &f->arena, &f->err),
              f->err);
    for (size_t i = 0; i < count; i++)
        (void)snprintf(names + strlen(names), sizeof names - strlen(names), "%s" PW_FMT,
                       i ? " " : "", PW_ARG(rows[i].id));
    EXPECT_TEXT(names, expected);
}

STORE_TEST(bulk_operations_are_listed_newest_first_and_those_at_work_by_themselves)
{
    listed(f, false, "", 9, "");
    listed(f, true, "", 9, "");
    for (int i = 0; i < 5; i++) {
        const char id[] = { 'b', (char)('0' + i), '\0' };
        pw_bulk b = bulk(id, 1000 + i / 2); /* two of one instant */
        b.state = i == 1 ? PW_BULK_DONE : i == 2 || i == 3 ? PW_BULK_STOPPED : PW_BULK_RUNNING;
        if (i == 3)
            b.page = S("[\"i1-1\"]"); /* it is stopped behind that */
        EXPECT(set(f, &b, NULL, 0));
    }
    restart(f);
    listed(f, false, "", 9, "b4 b3 b2 b1 b0");
    listed(f, false, "", 2, "b4 b3");
    listed(f, false, "b3", 2, "b2 b1");
    listed(f, false, "b0", 2, "");
    listed(f, true, "", 9, "b4 b3 b0");
    listed(f, true, "b3", 9, "b0");
    pw_bulk *rows = NULL;
    size_t count = 0;
    EXPECT_INT(pw_store_bulks(f->store, false, S("b9"), 9, &rows, &count, &f->arena, &f->err),
               PAWL_NOT_FOUND);
    for (uint32_t limit = 0; limit <= PW_PAGE_MAX + 1; limit += PW_PAGE_MAX + 1)
        EXPECT_INT(pw_store_bulks(f->store, false, S(""), limit, &rows, &count, &f->arena, &f->err),
                   PAWL_INVALID);
}

STORE_TEST(a_bulk_operation_that_cannot_be_is_refused)
{
    static char long_text[PW_BULK_REQUEST_MAX + 1];
    memset(long_text, 'x', sizeof long_text);
    const pw_bulk good = bulk("b1", 1000);
    pw_bulk bad[10];
    for (size_t i = 0; i < PW_LENGTH(bad); i++)
        bad[i] = good;
    bad[0].id = S("");
    bad[1].id = (pw_str){ long_text, 129 };
    bad[2].request = S("");
    bad[3].request = (pw_str){ long_text, sizeof long_text };
    bad[4].actor = (pw_str){ long_text, 513 };
    bad[5].state = (pw_bulk_state)3;
    bad[6].state = PW_BULK_DONE; /* with a page that is not done */
    bad[6].page = S("[\"i1-1\"]");
    bad[7].epoch = UINT64_MAX;
    bad[8].done = UINT64_MAX;
    bad[9].stopped_by = (pw_str){ "a\0", 2 };
    bool won = false;
    for (size_t i = 0; i < PW_LENGTH(bad); i++)
        EXPECT_INT(pw_store_bulk_set(f->store, &bad[i], NULL, 0, &won, &f->err), PAWL_INVALID);
    const pw_bulk_failure failures[] = { { S(""), S("state"), S("m") },
                                         { S("i1"), S(""), S("m") },
                                         { S("i1"), S("state"), { long_text, 481 } },
                                         { S("i1"), S("state"), S("m") } };
    for (size_t i = 0; i < PW_LENGTH(failures); i++) { /* the last is not counted */
        pw_bulk b = good;
        b.failed = i + 1 < PW_LENGTH(failures);
        EXPECT_INT(pw_store_bulk_set(f->store, &b, &failures[i], 1, &won, &f->err), PAWL_INVALID);
    }
    EXPECT(!won);
    listed(f, false, "", 9, "");
    pw_bulk whole = good;
    whole.request.ptr = long_text;
    whole.request.len = PW_BULK_REQUEST_MAX;
    EXPECT(set(f, &whole, NULL, 0));
    EXPECT_INT(read_back(f, "b1", 0, NULL).request.len, PW_BULK_REQUEST_MAX);
}

TEST(bulk, a_damaged_row_is_named)
{
    static const char *const cases[][2] = {
        { "UPDATE bulk SET state = 'gone'",
          "table bulk, row 'b1': its state is none that this program knows" },
        { "UPDATE bulk SET epoch = -1", "table bulk, row 'b1': its epoch is negative" },
        { "UPDATE bulk SET done = -1", "table bulk, row 'b1': a count is negative" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        fixture f;
        char path[512], sql[256];
        fixture_open(&f, true);
        const pw_bulk b = bulk("b1", 1000);
        pw_bulk read;
        if (i == 0)
            EXPECT(set(&f, &b, NULL, 0));
        (void)snprintf(path, sizeof path, "%s", f.uri + strlen("sqlite:"));
        pw_store_close(f.store);
        sqlite3 *db = NULL;
        (void)snprintf(sql, sizeof sql, "PRAGMA ignore_check_constraints = 1; %s%s",
                       i ? "UPDATE bulk SET state = 'running', epoch = 1, done = 0; " : "",
                       cases[i][0]);
        EXPECT_INT(sqlite3_open(path, &db), SQLITE_OK);
        EXPECT_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        EXPECT_INT(sqlite3_close(db), SQLITE_OK);
        const pw_store_options options = { S(f.uri), PW_STORE_OWN, false };
        EXPECT_OK(pw_store_open(&f.store, &options, &f.err), f.err);
        EXPECT_INT(pw_store_bulk_get(f.store, S("b1"), &read, NULL, NULL, &f.arena, &f.err),
                   PAWL_CORRUPT);
        EXPECT_CONTAINS(f.err.message, cases[i][1]);
        fixture_done(&f);
    }
}

TEST_MAIN()
