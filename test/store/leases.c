/* Nodes, partitions and their epochs: what every store does with one node, and what one that nodes
 * share does with several, by its own clock. Instance i1 is of partition 3. */
#include <sqlite3.h>
#include "conformance.h"
#include "store/memory/memory.h"

#define BIT(n) (UINT64_C(1) << (n))

enum { I1_PARTITION = 3 };

static pw_partitions beat_at(fixture *f, pw_store *store, const char *node)
{
    pw_partitions p;
    EXPECT_OK(pw_store_node_beat(store, S(node), 1000, &p, &f->err), f->err);
    return p;
}

static pw_partitions take_at(fixture *f, pw_store *store, const char *node, uint64_t wanted)
{
    pw_partitions p;
    EXPECT_OK(pw_store_partitions_take(store, S(node), wanted, &p, &f->err), f->err);
    return p;
}

static pw_str owner(fixture *f, uint32_t partition)
{
    pw_str node = { 0 };
    EXPECT_OK(pw_store_partition_node(f->store, partition, &node, &f->arena, &f->err), f->err);
    return node;
}

/* ------------------------------------------------------------------ one node */

/* It is stored with the instance's row, so it is the same for ever. */
TEST(partitions, an_instance_is_of_the_same_one_for_ever)
{
    EXPECT_INT(pw_store_partition(S("i0")), 44);
    EXPECT_INT(pw_store_partition(S("i1")), I1_PARTITION);
    EXPECT_INT(pw_store_partition(S("i2")), 59);
    EXPECT_INT(pw_store_partition(S("order-4711")), 28);
}

STORE_TEST(a_new_store_is_exclusive_and_its_partitions_are_free)
{
    EXPECT(pw_store_exclusive(f->store));
    pw_partitions p = beat_at(f, f->store, "a");
    EXPECT(p.held == 0 && p.free == PW_ALL_PARTITIONS);
    EXPECT_INT(p.nodes, 1);
    EXPECT_INT(owner(f, 3).len, 0);
}

STORE_TEST(what_is_taken_has_an_epoch_one_above_the_last)
{
    pw_partitions p = take_at(f, f->store, "a", BIT(3) | BIT(63));
    EXPECT(p.held == (BIT(3) | BIT(63)) && p.free == ~(BIT(3) | BIT(63)));
    EXPECT_INT(p.epochs[3], 1);
    EXPECT_INT(p.epochs[63], 1);
    EXPECT_INT(p.epochs[4], 0);
    p = take_at(f, f->store, "a", BIT(3) | BIT(4)); /* its own stays as it is */
    EXPECT_INT(p.epochs[3], 1);
    EXPECT_INT(p.epochs[4], 1);
    EXPECT_STR(owner(f, 63), "a");
    EXPECT_INT(owner(f, 62).len, 0);
}

STORE_TEST(what_is_given_back_is_free_and_its_next_epoch_is_higher)
{
    (void)take_at(f, f->store, "a", PW_ALL_PARTITIONS);
    EXPECT_OK(pw_store_partitions_give(f->store, S("a"), BIT(3) | BIT(5), false, &f->err), f->err);
    pw_partitions p = beat_at(f, f->store, "a");
    EXPECT(p.free == (BIT(3) | BIT(5)) && p.held == ~(BIT(3) | BIT(5)));
    p = take_at(f, f->store, "a", BIT(5));
    EXPECT_INT(p.epochs[5], 2);
    EXPECT_INT(p.epochs[6], 1);
}

STORE_TEST(a_node_that_leaves_leaves_everything_free)
{
    (void)take_at(f, f->store, "a", PW_ALL_PARTITIONS);
    EXPECT_OK(pw_store_partitions_give(f->store, S("a"), 0, true, &f->err), f->err);
    pw_partitions p = beat_at(f, f->store, "b");
    EXPECT(p.held == 0 && p.free == PW_ALL_PARTITIONS);
    EXPECT_INT(p.nodes, 1);
}

STORE_TEST(the_next_node_of_an_exclusive_store_is_the_only_one)
{
    (void)take_at(f, f->store, "a", PW_ALL_PARTITIONS); /* and dies */
    restart(f);
    pw_partitions p = take_at(f, f->store, "b", PW_ALL_PARTITIONS);
    EXPECT(p.held == PW_ALL_PARTITIONS);
    EXPECT_INT(p.nodes, 1);
    for (unsigned n = 0; n < PW_PARTITIONS; n++)
        EXPECT_INT(p.epochs[n], 2);
    EXPECT_STR(owner(f, 0), "b");
}

STORE_TEST(a_commit_is_good_only_under_the_epoch_of_its_partition)
{
    have_definition(f);
    pw_transition t = transition(PW_RUNNING, 0, "{}");
    pw_commit_item item = item_of("i1", 0, &t, 1000);
    item.epoch = 1;
    EXPECT_INT(commit_one(f, &item), PAWL_BUSY); /* nobody's */
    EXPECT(item.fenced);
    EXPECT_TEXT(item.error.message, "instance 'i1': its partition 3 is another node's now: try "
                                    "again, there or here");
    (void)take_at(f, f->store, "a", BIT(I1_PARTITION));
    item = item_of("i1", 0, &t, 1000);
    item.epoch = 1;
    must_commit(f, &item);
    EXPECT(!item.fenced);
    (void)take_at(f, f->store, "b", BIT(I1_PARTITION)); /* takes over, with epoch 2 */
    item = item_of("i1", 1, &t, 2000);
    item.epoch = 1;
    EXPECT_INT(commit_one(f, &item), PAWL_BUSY);
    EXPECT_INT(get(f, "i1").token, 1);
    item = item_of("i1", 1, &t, 2000);
    item.epoch = 2;
    must_commit(f, &item);
    EXPECT_OK(pw_store_partitions_give(f->store, S("b"), BIT(I1_PARTITION), false, &f->err),
              f->err);
    item = item_of("i1", 2, &t, 3000);
    item.epoch = 2;
    EXPECT_INT(commit_one(f, &item), PAWL_BUSY);
    item = item_of("i1", 2, &t, 3000); /* a tool, which no node is */
    must_commit(f, &item);
}

STORE_TEST(a_fenced_item_is_refused_alone_and_costs_nothing)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    have_instance(f, "i2", 1000);
    (void)take_at(f, f->store, "a", PW_ALL_PARTITIONS);
    pw_store_counts before = counts(f);
    pw_transition t = transition(PW_RUNNING, 0, "{}");
    pw_commit_item items[2] = { item_of("i1", 1, &t, 2000), item_of("i2", 1, &t, 2000) };
    items[0].epoch = 7;
    items[1].epoch = 1;
    EXPECT_OK(pw_store_commit(f->store, items, 2, &f->err), f->err);
    EXPECT_INT(items[0].code, PAWL_BUSY);
    EXPECT_INT(items[1].code, PAWL_OK);
    EXPECT_INT(get(f, "i1").token, 1);
    EXPECT_INT(get(f, "i2").token, 2);
    EXPECT_INT(counts(f).items - before.items, 1);
    EXPECT_INT(counts(f).commits - before.commits, 1);
    EXPECT_INT(counts(f).bisections, 0);
}

STORE_TEST(a_step_tells_the_epoch_under_which_it_was_decided)
{
    have_definition(f);
    (void)take_at(f, f->store, "a", PW_ALL_PARTITIONS);
    (void)take_at(f, f->store, "b", PW_ALL_PARTITIONS);
    have_instance(f, "i1", 1000);
    pw_transition t = transition(PW_RUNNING, 0, "{}");
    pw_commit_item item = item_of("i1", 1, &t, 2000);
    item.epoch = 2;
    must_commit(f, &item);
    pw_step_row *rows = NULL;
    size_t count = 0;
    restart(f);
    EXPECT_OK(pw_store_steps(f->store, S("i1"), 1, 10, &rows, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 2);
    EXPECT_INT(rows[0].epoch, 0);
    EXPECT_INT(rows[1].epoch, 2);
}

STORE_TEST(reads_for_a_node_are_of_its_partitions)
{
    have_definition(f);
    pw_transition t = transition(PW_RUNNING, 5, "{}");
    for (unsigned i = 0; i < 8; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "i%u", i);
        step(f, id, 0, &t, 1000);
        pw_inbox_row row = { .target = S(id), .key = S("k"), .kind = S("cancel") };
        EXPECT_OK(pw_store_inbox_put(f->store, &row, &f->err), f->err);
    }
    pw_due *due = NULL;
    pw_inbox_row *rows = NULL;
    size_t count = 0;
    int64_t next = 0;
    EXPECT_OK(pw_store_due(f->store, BIT(I1_PARTITION), 10, 0, S(""), 100, &due, &count, &f->arena,
                           &f->err),
              f->err);
    EXPECT_INT(count, 1);
    EXPECT_STR(due[0].id, "i1");
    EXPECT_OK(pw_store_due(f->store, ~BIT(I1_PARTITION), 10, 0, S(""), 100, &due, &count, &f->arena,
                           &f->err),
              f->err);
    EXPECT_INT(count, 7);
    EXPECT_OK(pw_store_next_due(f->store, BIT(I1_PARTITION), 0, &next, &f->err), f->err);
    EXPECT_INT(next, 5);
    EXPECT_OK(pw_store_next_due(f->store, 0, 0, &next, &f->err), f->err);
    EXPECT_INT(next, PW_WAKE_NEVER);
    EXPECT_OK(
        pw_store_inbox_pending(f->store, BIT(I1_PARTITION), 100, &rows, &count, &f->arena, &f->err),
        f->err);
    EXPECT_INT(count, 1);
    EXPECT_STR(rows[0].target, "i1");
    EXPECT_OK(pw_store_inbox_pending(f->store, ~BIT(I1_PARTITION), 100, &rows, &count, &f->arena,
                                     &f->err),
              f->err);
    EXPECT_INT(count, 7);
}

STORE_TEST(a_node_without_a_good_name_or_lease_is_refused)
{
    pw_partitions p;
    char long_name[130];
    memset(long_name, 'n', sizeof long_name);
    EXPECT_INT(pw_store_node_beat(f->store, S(""), 1000, &p, &f->err), PAWL_INVALID);
    EXPECT_TEXT(f->err.message, "a node's id must have 1 to 128 bytes and no NUL");
    EXPECT_INT(pw_store_partitions_take(f->store, (pw_str){ long_name, 129 }, 1, &p, &f->err),
               PAWL_INVALID);
    EXPECT_INT(pw_store_partitions_give(f->store, (pw_str){ "a\0b", 3 }, 1, false, &f->err),
               PAWL_INVALID);
    EXPECT_INT(pw_store_node_beat(f->store, S("a"), 0, &p, &f->err), PAWL_INVALID);
    EXPECT_TEXT(f->err.message, "a lease must be 1 ms to 86400000 ms, not 0");
    EXPECT_INT(pw_store_node_beat(f->store, S("a"), 86400001, &p, &f->err), PAWL_INVALID);
}

/* ------------------------------------------------------------------ several nodes */

typedef struct shared {
    fixture f;
    pw_store *other;
    int64_t now_ms;
} shared;

static int64_t shared_clock(void *context)
{
    return ((const shared *)context)->now_ms;
}

static void shared_open(shared *s)
{
    fixture_open(&s->f, false);
    EXPECT_OK(pw_memory_share(s->f.store, &s->other, &s->f.err), s->f.err);
    s->now_ms = 10000;
    pw_memory_set_clock(s->other, shared_clock, s);
}

static void shared_done(shared *s)
{
    pw_store_close(s->other);
    fixture_done(&s->f);
}

#define SHARED_TEST(sentence)                                                                      \
    static void sentence(shared *s, fixture *f);                                                   \
    TEST(shared, sentence)                                                                         \
    {                                                                                              \
        static shared s;                                                                           \
        shared_open(&s);                                                                           \
        sentence(&s, &s.f);                                                                        \
        shared_done(&s);                                                                           \
    }                                                                                              \
    static void sentence(shared *s, fixture *f)

SHARED_TEST(two_handles_have_one_content)
{
    EXPECT(!pw_store_exclusive(f->store) && !pw_store_exclusive(s->other));
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_instance_row row;
    EXPECT_OK(pw_store_instance_get(s->other, S("i1"), true, &row, &f->arena, &f->err), f->err);
    EXPECT_INT(row.token, 1);
    EXPECT(pw_str_eq(pw_store_generation(s->other), pw_store_generation(f->store)));
}

SHARED_TEST(a_handle_breaks_and_opens_again_by_itself)
{
    have_definition(f);
    pw_transition t = transition(PW_RUNNING, 0, "{}");
    pw_commit_item item = item_of("i1", 0, &t, 1000);
    pw_memory_fail_commit(s->other, 1, true);
    EXPECT_INT(pw_store_commit(s->other, &item, 1, &f->err), PAWL_IO);
    step(f, "i1", 1, &t, 2000);
    item = item_of("i1", 2, &t, 3000);
    EXPECT_INT(pw_store_commit(s->other, &item, 1, &f->err), PAWL_IO);
    EXPECT_OK(pw_store_reopen(s->other, &f->err), f->err);
    EXPECT_OK(pw_store_commit(s->other, &item, 1, &f->err), f->err);
    EXPECT_INT(item.code, PAWL_OK);
    EXPECT_INT(get(f, "i1").token, 3);
}

SHARED_TEST(a_handle_outlives_the_one_it_was_made_of)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_store *third = NULL;
    EXPECT_OK(pw_memory_share(s->other, &third, &f->err), f->err);
    pw_store_close(f->store);
    f->store = third;
    EXPECT_INT(get(f, "i1").token, 1);
}

SHARED_TEST(a_living_node_keeps_what_it_has)
{
    (void)beat_at(f, f->store, "a");
    (void)take_at(f, f->store, "a", PW_ALL_PARTITIONS);
    s->now_ms += 999;
    pw_partitions p = beat_at(f, s->other, "b");
    EXPECT(p.held == 0 && p.free == 0);
    EXPECT_INT(p.nodes, 2);
    p = take_at(f, s->other, "b", PW_ALL_PARTITIONS);
    EXPECT(p.held == 0);
    EXPECT_STR(owner(f, 9), "a");
}

SHARED_TEST(a_lease_ends_by_the_clock_of_the_store)
{
    (void)beat_at(f, f->store, "a");
    (void)take_at(f, f->store, "a", PW_ALL_PARTITIONS);
    s->now_ms += 1000;
    EXPECT_INT(owner(f, 9).len, 0);
    pw_partitions p = beat_at(f, s->other, "b");
    EXPECT(p.free == PW_ALL_PARTITIONS);
    EXPECT_INT(p.nodes, 1);
    p = take_at(f, s->other, "b", BIT(9));
    EXPECT(p.held == BIT(9) && p.free == ~BIT(9));
    EXPECT_INT(p.epochs[9], 2);
    p = beat_at(f, f->store, "a"); /* it was away, and finds out */
    EXPECT(p.held == ~BIT(9) && p.free == 0);
    EXPECT_INT(p.epochs[8], 1);
    EXPECT_INT(p.nodes, 2);
}

SHARED_TEST(a_beat_makes_the_lease_longer)
{
    (void)beat_at(f, f->store, "a");
    (void)take_at(f, f->store, "a", PW_ALL_PARTITIONS);
    s->now_ms += 900;
    (void)beat_at(f, f->store, "a");
    s->now_ms += 900;
    EXPECT(beat_at(f, s->other, "b").free == 0);
    s->now_ms += 100;
    EXPECT(beat_at(f, s->other, "b").free == PW_ALL_PARTITIONS);
}

SHARED_TEST(a_silent_node_commits_until_somebody_has_taken_over)
{
    have_definition(f);
    (void)beat_at(f, f->store, "a");
    (void)take_at(f, f->store, "a", PW_ALL_PARTITIONS);
    s->now_ms += 5000;
    pw_transition t = transition(PW_RUNNING, 0, "{}");
    pw_commit_item item = item_of("i1", 0, &t, 1000);
    item.epoch = 1;
    must_commit(f, &item);
    (void)beat_at(f, s->other, "b");
    (void)take_at(f, s->other, "b", BIT(I1_PARTITION));
    item = item_of("i1", 1, &t, 2000);
    item.epoch = 1;
    EXPECT_INT(commit_one(f, &item), PAWL_BUSY);
    item = item_of("i1", 1, &t, 2000);
    item.epoch = 2;
    EXPECT_OK(pw_store_commit(s->other, &item, 1, &f->err), f->err);
    EXPECT_INT(item.code, PAWL_OK);
}

SHARED_TEST(a_silent_node_finds_what_nobody_took_under_the_same_epoch)
{
    (void)beat_at(f, f->store, "a");
    (void)take_at(f, f->store, "a", PW_ALL_PARTITIONS);
    s->now_ms += 5000;
    pw_partitions p = take_at(f, f->store, "a", BIT(9));
    EXPECT(p.held == PW_ALL_PARTITIONS);
    EXPECT_INT(p.epochs[9], 1);
}

SHARED_TEST(a_node_gives_only_what_is_its_own)
{
    (void)beat_at(f, f->store, "a");
    (void)take_at(f, f->store, "a", BIT(1));
    (void)beat_at(f, s->other, "b");
    EXPECT_OK(pw_store_partitions_give(s->other, S("b"), PW_ALL_PARTITIONS, true, &f->err), f->err);
    EXPECT_STR(owner(f, 1), "a");
    EXPECT_INT(beat_at(f, f->store, "a").nodes, 1);
}

SHARED_TEST(a_node_that_never_beat_takes_nothing)
{
    pw_partitions p;
    EXPECT_INT(pw_store_partitions_take(s->other, S("a"), 1, &p, &f->err), PAWL_NOT_FOUND);
    EXPECT_TEXT(f->err.message, "no node 'a'");
}

SHARED_TEST(a_node_that_is_cut_off_learns_nothing_until_it_is_back)
{
    pw_partitions p;
    (void)beat_at(f, s->other, "a");
    (void)take_at(f, s->other, "a", BIT(1));
    pw_memory_cut_off(s->other, true);
    EXPECT_INT(pw_store_node_beat(s->other, S("a"), 1000, &p, &f->err), PAWL_IO);
    EXPECT_INT(pw_store_partitions_take(s->other, S("a"), 2, &p, &f->err), PAWL_IO);
    EXPECT_INT(pw_store_partitions_give(s->other, S("a"), 1, true, &f->err), PAWL_IO);
    pw_memory_cut_off(s->other, false);
    EXPECT(beat_at(f, s->other, "a").held == BIT(1));
}

/* ------------------------------------------------------------------ the tables */

static const char *raw_text(const char *path, const char *sql)
{
    static char text[256];
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    EXPECT_INT(sqlite3_open(path, &db), SQLITE_OK);
    EXPECT_INT(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    EXPECT_INT(sqlite3_step(statement), SQLITE_ROW);
    (void)snprintf(text, sizeof text, "%s", (const char *)sqlite3_column_text(statement, 0));
    EXPECT_INT(sqlite3_finalize(statement), SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    return text;
}

TEST(sqlite_tables, show_the_owner_and_epochs_that_rise_with_each)
{
    static fixture f;
    fixture_open(&f, true);
    (void)take_at(&f, f.store, "first", PW_ALL_PARTITIONS);
    restart(&f);
    (void)take_at(&f, f.store, "second", PW_ALL_PARTITIONS);
    EXPECT_TEXT(raw_text(f.uri + strlen("sqlite:"),
                         "SELECT group_concat(DISTINCT node || ' ' || epoch) || ', ' || "
                         "count(*) FROM partition"),
                "second 2, 64");
    EXPECT_TEXT(raw_text(f.uri + strlen("sqlite:"),
                         "SELECT group_concat(id || ' ' || coalesce(leased_until, 'for ever')) "
                         "FROM node"),
                "second for ever");
    EXPECT_OK(pw_store_partitions_give(f.store, S("second"), 0, true, &f.err), f.err);
    EXPECT_TEXT(raw_text(f.uri + strlen("sqlite:"),
                         "SELECT (SELECT count(*) FROM node) || ' ' || count(node) || ' ' || "
                         "max(epoch) FROM partition"),
                "0 0 2");
    fixture_done(&f);
}

TEST_MAIN()
