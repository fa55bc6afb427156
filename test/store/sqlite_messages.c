/* sqlite_messages.c - messages in a SQLite store whose disk fills up or fails, whose memory runs
 * out, or whose rows are damaged: all of a call took place or nothing, and it may be made again. */
#include <unistd.h>

#include "failing_disk.h"
#include "fixture.h"

static fixture f; /* of the running test */

/* ---- the life of two messages */

static const pw_matcher orders = { { "m", 1 }, { "t", 1 }, { "[]", 2 } };

/* i1 waits in visit 1 under h1, i2 under h2. */
static void begin_messages(void)
{
    disk_is_well();
    fixture_open(&f, true);
    have_definition(&f);
    have_instance(&f, "i1", 1000);
    pw_bookmark bookmark = {
        .kind = PW_BOOKMARK_MESSAGE, .task = S("/"), .visit = 1, .key = S("wait-1"), .due_at = -1
    };
    pw_subscription s = { .visit = 1, .matcher = orders };
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.bookmarks = &bookmark;
    t.subscriptions = &s;
    t.bookmark_count = t.subscription_count = 1;
    s.hash = S("h1");
    step(&f, "i1", 1, &t, 1000);
    s.hash = S("h2");
    step(&f, "i2", 0, &t, 1000);
}

static pw_message_row message(const char *id)
{
    return (pw_message_row){ .source = S("/s"),
                             .id = S(id),
                             .type = S("t"),
                             .body = S("{}"),
                             .received_ms = 1,
                             .expires_ms = 9000 };
}

static pawl_code route(uint64_t number, const char *hash)
{
    pw_str hashes[] = { S(hash) };
    pw_message_route r = { .number = number, .hashes = hashes, .count = 1 };
    pw_delivery_target *targets = NULL;
    size_t count = 0;
    return pw_store_messages_route(f.store, 1, &r, 1, 1, &targets, &count, &f.arena, &f.err);
}

static pawl_code put(uint64_t n)
{
    pw_message_row row = message(n == 1 ? "e1" : "e2");
    return pw_store_messages_put(f.store, &row, 1, &f.err);
}

static pawl_code claim(uint64_t n)
{
    uint32_t claimed = 0;
    (void)n;
    return pw_store_messages_claim(f.store, S("i2"), 1, S("h2"), 1, 1, &claimed, &f.err);
}

/* The life of two messages, one call after the other; each may be made again. */
static pawl_code live(int call)
{
    pw_delivery_back back = { S("i1"), 1, 2 };
    pw_message_key key = { S("h2"), 1 };
    uint32_t deleted = 0;
    switch (call) {
    case 0:
        return put(1);
    case 1:
        return route(1, "h3");
    case 2:
        return pw_store_message_keys_put(f.store, S("m"), &key, 1, true, &f.err);
    case 3:
        return claim(1);
    case 4:
        return put(2);
    case 5:
        return route(2, "h1");
    case 6:
        return pw_store_deliveries_give_back(f.store, &back, 1, &f.err);
    case 7: /* expires nothing: e1 waits, e2 is new */
        return pw_store_messages_expire(f.store, 9000, 9, &deleted, &f.err);
    default:
        return PAWL_STATE;
    }
}
enum { CALLS = 8 };

static const struct {
    const char *waits; /* what i1 and i2 have to take */
    int kept, fresh;   /* messages in these states */
} lives[CALLS + 1] = {
    { "0 0", 0, 0 }, { "0 0", 0, 1 }, { "0 0", 1, 0 }, { "0 0", 1, 0 }, { "0 1", 0, 0 },
    { "0 1", 0, 1 }, { "1 1", 0, 0 }, { "0 1", 0, 1 }, { "0 1", 0, 1 },
};

static bool is_after(int calls)
{
    pw_delivery_row *a = NULL, *b = NULL;
    pw_message_row *kept = NULL, *fresh = NULL;
    size_t na = 0, nb = 0, nkept = 0, nfresh = 0;
    EXPECT_OK(pw_store_deliveries(f.store, S("i1"), 0, 9, &a, &na, &f.arena, &f.err), f.err);
    EXPECT_OK(pw_store_deliveries(f.store, S("i2"), 0, 9, &b, &nb, &f.arena, &f.err), f.err);
    EXPECT_OK(pw_store_messages_kept(f.store, S(""), 1, 0, 9, &kept, &nkept, &f.arena, &f.err),
              f.err);
    EXPECT_OK(pw_store_messages_new(f.store, 0, 9, &fresh, &nfresh, &f.arena, &f.err), f.err);
    char waits[32];
    (void)snprintf(waits, sizeof waits, "%zu %zu", na, nb);
    return strcmp(waits, lives[calls].waits) == 0 && nkept == (size_t)lives[calls].kept &&
           nfresh == (size_t)lives[calls].fresh;
}

/* ---- the disk, and memory */

TEST(sqlite_messages, a_full_disk_at_any_write_for_messages_commits_nothing)
{
    begin_messages();
    int failures = 0;
    for (int call = 0; call < CALLS; call++) {
        pawl_code code = PAWL_IO;
        for (int n = 1; n < 50 && code != PAWL_OK; n++) {
            atomic_store(&disk.write_code, SQLITE_FULL);
            atomic_store(&disk.write_in, n);
            code = live(call);
            disk_is_well();
            if (code == PAWL_OK)
                break;
            failures++;
            EXPECT_INT(code, PAWL_IO);
            EXPECT_CONTAINS(f.err.message, "the disk is full");
            EXPECT_INT(live(call), PAWL_IO); /* never retried on the same files */
            EXPECT_CONTAINS(f.err.message, "the store must be opened again");
            EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err);
            EXPECT(is_after(call));
        }
        EXPECT_INT(code, PAWL_OK);
        EXPECT(is_after(call + 1));
    }
    EXPECT(failures >= 7 * 3);
    fixture_done(&f);
}

TEST(sqlite_messages,
     a_failed_sync_for_messages_leaves_the_outcome_open_and_the_call_may_be_repeated)
{
    begin_messages();
    for (int call = 0; call < CALLS - 1; call++) {
        atomic_store(&disk.sync_in, 1);
        EXPECT_INT(live(call), PAWL_IO);
        disk_is_well();
        EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err);
        EXPECT(is_after(call) || is_after(call + 1));
        EXPECT_OK(live(call), f.err);
        EXPECT(is_after(call + 1));
    }
    fixture_done(&f);
}

TEST(sqlite_messages, memory_that_runs_out_inside_sqlite_leaves_all_of_a_call_or_nothing)
{
    let_memory_fail();
    begin_messages();
    for (int call = 0; call < CALLS; call++) {
        pawl_code code = PAWL_NO_MEMORY;
        for (int n = 1; n < 4000 && code != PAWL_OK; n += n < 200 ? 1 : n / 50) {
            EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err); /* its statements are made anew */
            atomic_store(&memory_in, n);
            code = live(call);
            atomic_store(&memory_in, 0);
            EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY || code == PAWL_IO);
            if (code == PAWL_IO) /* in the COMMIT itself */
                EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err);
            EXPECT(is_after(call + 1) || (code != PAWL_OK && is_after(call)));
        }
        EXPECT_INT(code, PAWL_OK);
    }
    fixture_done(&f);
}

/* ---- damage */

/* Each change to a store in which i1 waits in visit 1 and message 1 is to be taken, message 2 is
 * kept, message 3 is new; and what reads it says. */
static pawl_code read_all(void)
{
    pw_message_row *messages = NULL;
    pw_subscription_row *subscriptions = NULL;
    pw_delivery_row *deliveries = NULL;
    pw_message_row one = { .source = S("/s"), .id = S("e3"), .type = S("t"), .body = S("{}") };
    pw_message_route route = { .number = 3 };
    pw_delivery_target *targets = NULL;
    size_t count = 0;
    pawl_code code = pw_store_messages_new(f.store, 0, 9, &messages, &count, &f.arena, &f.err);
    if (code == PAWL_OK)
        code = pw_store_messages_kept(f.store, S(""), 0, 0, 9, &messages, &count, &f.arena, &f.err);
    if (code == PAWL_OK)
        code = pw_store_subscriptions(f.store, S("i1"), S(""), NULL, 9, &subscriptions, &count,
                                      &f.arena, &f.err);
    if (code == PAWL_OK)
        code = pw_store_deliveries(f.store, S("i1"), 0, 9, &deliveries, &count, &f.arena, &f.err);
    if (code == PAWL_OK)
        code = pw_store_message_get(f.store, S("/s"), S("e1"), &one, &f.arena, &f.err);
    if (code == PAWL_OK) {
        one.id = S("e3");
        code = pw_store_messages_put(f.store, &one, 1, &f.err);
    }
    if (code == PAWL_OK)
        code =
            pw_store_messages_route(f.store, 1, &route, 1, 1, &targets, &count, &f.arena, &f.err);
    return code;
}

TEST(sqlite_messages, a_damaged_row_of_messages_is_named)
{
    static const struct {
        const char *change, *message; /* NULL: it is read */
    } cases[] = {
        { "UPDATE matcher SET type = NULL", NULL },
        { "UPDATE message SET state = 'lost' WHERE number = 1",
          "table message, row 'e1': its state is none that this program knows" },
        { "UPDATE message SET state = 'lost' WHERE number = 3",
          "table message: a state is none that this program knows: restore it from a backup" },
        { "UPDATE subscription SET visit = -1",
          "table subscription, row 'i1': its visit is negative" },
        { "UPDATE subscription SET ordinal = -1",
          "table subscription, row 'i1': its ordinal is out of range" },
        { "UPDATE subscription SET ordinal = 4294967296",
          "table subscription, row 'i1': its ordinal is out of range" },
        { "UPDATE delivery SET visit = -1", "table delivery, row 'i1': its visit is negative" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        fixture_open(&f, true);
        have_definition(&f);
        have_instance(&f, "i1", 1000);
        pw_store_close(f.store);
        char sql[1024];
        (void)snprintf(sql, sizeof sql,
                       "PRAGMA ignore_check_constraints = 1;"
                       "INSERT INTO message VALUES"
                       "    (1, '/s', 'e1', 't', 'delivered', 'a', 1, 99999, 5, 0, '{}'),"
                       "    (2, '/s', 'e2', 't', 'kept', 'a', 1, 99999, 5, 0, '{}'),"
                       "    (3, '/s', 'e3', 't', 'new', 'a', 1, 99999, 5, 0, '{}');"
                       "INSERT INTO matcher VALUES ('m', 't', '[]', 0);"
                       "INSERT INTO subscription VALUES ('i1', 1, 0, 'm', 'h');"
                       "INSERT INTO delivery VALUES ('i1', 1, 1, 3, 1, NULL);"
                       "%s",
                       cases[i].change);
        const char *path = f.uri + strlen("sqlite:");
        sqlite3 *db = NULL;
        EXPECT_INT(sqlite3_open(path, &db), SQLITE_OK);
        EXPECT_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        EXPECT_INT(sqlite3_close(db), SQLITE_OK);
        pw_store_options options = { S(f.uri), PW_STORE_OWN, false };
        EXPECT_OK(pw_store_open(&f.store, &options, &f.err), f.err);
        EXPECT_INT(read_all(), cases[i].message ? PAWL_CORRUPT : PAWL_OK);
        if (cases[i].message)
            EXPECT_CONTAINS(f.err.message, cases[i].message);
        EXPECT_INT(get(&f, "i1").token, 1);
        char file[512];
        (void)snprintf(file, sizeof file, "%s", path);
        fixture_done(&f);
        EXPECT_INT(unlink(file), 0);
    }
}

TEST_MAIN()
