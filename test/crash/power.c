/* power.c - the SQLite store on a disk that loses its power at every change, and fails at every
 * read, write, sync, truncation and opening, during a fixed sequence of commits.
 *
 * Each step of an instance writes a row of everything, so that a half one shows. What the store
 * said is kept in a ledger, and after each loss the file is held against it: what was answered is
 * there; what was not is there whole, with its whole batch, or not at all. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <sqlite3.h>

#include "test.h"
#include "store/store.h"
#include "vfs.h"

enum { INSTANCES = 3 };

/* What happens in turn: the instances that a batch steps (bits), or what is done with the store. */
enum { REOPEN = 0x100, RESTART = 0x200 };
static const unsigned script[] = {
    1, 1, 2 | 4, 1, 1 | 2 | 4, REOPEN, 1, 2, 1 | 4, RESTART, 1 | 2, 4, 1, REOPEN, 2 | 4, 1,
};
/* Tokens at its end. */
static const uint64_t ends[INSTANCES] = { 9, 5, 5 };

typedef struct run {
    pw_store *store; /* NULL: closed */
    char path[700];
    bool defined;              /* the store said so */
    uint64_t told[INSTANCES];  /* the token that it answered, or showed after a failure */
    uint64_t asked[INSTANCES]; /* one more, in the batch that has no answer yet; else the same */
    size_t at;                 /* in the script */
    bool failed;               /* the one failure was noticed */
    pawl_error err;
    /* What goes wrong in this run; for messages. */
    const char *what;
    unsigned nth;
    int size;             /* of the state, in bytes, to be added to what it says */
    bool restart;         /* a process that dies after trouble, instead of pw_store_reopen */
    bool stop_at_failure; /* go_on ends when it has noticed it */
} run;

static run r;

#define WRONG(...) wrong(__LINE__, __VA_ARGS__)
static _Noreturn void wrong(int line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static _Noreturn void wrong(int line, const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pw_test_fail(__FILE__, line, "%s %u, at %zu of the script: %s", r.what, r.nth, r.at, text);
}

static void close_store(void)
{
    pw_store_close(r.store);
    r.store = NULL;
}

/* Puts a store there, with nothing in it: the same file each time. */
static void make_store(void)
{
    static char *bytes;
    static size_t len;
    if (!bytes) {
        pw_store_options options = { pw_str_of(r.path), PW_STORE_OWN, true };
        disk_reset(0);
        EXPECT_OK(pw_store_open(&r.store, &options, &r.err), r.err);
        close_store();
        bytes = pw_test_read(r.path, &len);
    }
    FILE *out = fopen(r.path, "wbe");
    EXPECT(out != NULL && fwrite(bytes, 1, len, out) == len && fclose(out) == 0);
}

static void begin(const char *what, unsigned nth, uint64_t seed, bool made)
{
    static const char *const ends_of_name[] = { "", "-wal", "-shm", "-lock" };
    memset(&r, 0, sizeof r);
    r.what = what;
    r.nth = nth;
    for (size_t i = 0; i < PW_LENGTH(ends_of_name); i++) {
        (void)snprintf(r.path, sizeof r.path, "%s/power.db%s", pw_test_dir(), ends_of_name[i]);
        if (unlink(r.path) != 0 && errno != ENOENT)
            WRONG("%s: %s", r.path, strerror(errno));
    }
    (void)snprintf(r.path, sizeof r.path, "%s/power.db", pw_test_dir());
    if (made)
        make_store();
    disk_reset(seed * 1000003 + nth);
}

/* ---- what is there, by plain SQL */

static void need_ok(sqlite3 *db, const char *pragma)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, pragma, -1, &s, NULL) != SQLITE_OK)
        WRONG("%s: %s", pragma, sqlite3_errmsg(db));
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(s, 0), "ok") == 0)
        rc = sqlite3_step(s);
    if (rc != SQLITE_DONE)
        WRONG("%s: %s", pragma,
              rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : sqlite3_errmsg(db));
    EXPECT_INT(sqlite3_finalize(s), SQLITE_OK);
}

/* An instance's token, 0 without one; every step's rows must be there. */
static uint64_t look_at(sqlite3 *db, size_t i)
{
    static const char *const counted[] = {
        "steps",    "last step", "events",        "bookmarks", "open bookmarks",
        "commands", "calls",     "pending calls", "incidents", "open incidents",
    };
    sqlite3_stmt *s = NULL;
    char id[8], state[48];
    (void)snprintf(id, sizeof id, "i%zu", i);
    int rc = sqlite3_prepare_v2(
        db,
        "SELECT token, state, (SELECT count(*) FROM step WHERE instance = id), "
        "(SELECT max(sequence) FROM step WHERE instance = id), "
        "(SELECT count(*) FROM outbox WHERE instance = id), "
        "(SELECT count(*) FROM bookmark WHERE instance = id), "
        "(SELECT count(*) FROM bookmark WHERE instance = id AND ended_ms IS NULL), "
        "(SELECT count(*) FROM inbox WHERE target = id), "
        "(SELECT count(*) FROM external_call WHERE instance = id), "
        "(SELECT count(*) FROM external_call WHERE instance = id AND state = 'pending'), "
        "(SELECT count(*) FROM fault WHERE instance = id), "
        "(SELECT count(*) FROM fault WHERE instance = id AND resolved_ms IS NULL) "
        "FROM instance WHERE id = ?1",
        -1, &s, NULL);
    if (rc != SQLITE_OK)
        WRONG("%s", sqlite3_errmsg(db));
    EXPECT_INT(sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC), SQLITE_OK);
    uint64_t token = 0;
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        token = (uint64_t)sqlite3_column_int64(s, 0);
        int len = snprintf(state, sizeof state, "{\"at\":%llu,", (unsigned long long)token);
        if (strncmp((const char *)sqlite3_column_text(s, 1), state, (size_t)len) != 0)
            WRONG("%s has token %llu and state %.40s", id, (unsigned long long)token,
                  (const char *)sqlite3_column_text(s, 1));
        for (int c = 0; c < (int)PW_LENGTH(counted); c++) {
            bool one = c == 4 || c == 7 || c == 9; /* those that the last step opened */
            if (sqlite3_column_int64(s, c + 2) != (one ? 1 : (int64_t)token))
                WRONG("%s has token %llu and %s %lld", id, (unsigned long long)token, counted[c],
                      (long long)sqlite3_column_int64(s, c + 2));
        }
        rc = sqlite3_step(s);
    }
    if (rc != SQLITE_DONE)
        WRONG("%s: %s", id, sqlite3_errmsg(db));
    EXPECT_INT(sqlite3_finalize(s), SQLITE_OK);
    return token;
}

/* All or nothing of the batch that has no answer; told becomes what is there. */
static void compare(const uint64_t *there)
{
    int got = -1;
    for (size_t i = 0; i < INSTANCES; i++) {
        if (there[i] != r.told[i] && there[i] != r.asked[i])
            WRONG("i%zu was told %llu, asked for %llu, and has %llu", i,
                  (unsigned long long)r.told[i], (unsigned long long)r.asked[i],
                  (unsigned long long)there[i]);
        if (r.told[i] != r.asked[i]) {
            if (got >= 0 && got != (there[i] == r.asked[i]))
                WRONG("half of a batch is there");
            got = there[i] == r.asked[i];
        }
        r.told[i] = there[i];
    }
    memcpy(r.asked, r.told, sizeof r.asked);
}

static void examine(void)
{
    sqlite3 *db = NULL;
    uint64_t there[INSTANCES];
    if (sqlite3_open_v2(r.path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        WRONG("%s", sqlite3_errmsg(db));
    need_ok(db, "PRAGMA integrity_check");
    need_ok(db, "PRAGMA foreign_key_check");
    for (size_t i = 0; i < INSTANCES; i++)
        there[i] = look_at(db, i);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    compare(there);
}

/* ---- what a program does; false: the disk has stopped */

/* Whether to try again: once, after the one failure that was asked for. */
static bool was_asked_for(pawl_code code)
{
    if (disk_is_stopped())
        return false;
    if (!disk_has_failed() || r.failed)
        WRONG("nothing was to fail: %d: %s", code, r.err.message);
    if (code != PAWL_IO)
        WRONG("code %d: %s", code, r.err.message);
    r.failed = true;
    return true;
}

static bool open_store(void)
{
    pw_store_options options = { pw_str_of(r.path), PW_STORE_OWN, true };
    pawl_code code;
    while ((code = pw_store_open(&r.store, &options, &r.err)) != PAWL_OK) {
        r.store = NULL;
        if (!was_asked_for(code))
            return false;
    }
    return true;
}

/* Opens it again as an engine does after PAWL_IO, or as the next process does. */
static bool come_back(void)
{
    if (r.restart) {
        disk_stop_at(0);
        close_store();
        disk_kill_over();
        return open_store();
    }
    pawl_code code;
    while ((code = pw_store_reopen(r.store, &r.err)) != PAWL_OK)
        if (!was_asked_for(code))
            return false;
    return true;
}

static bool look(void)
{
    uint64_t there[INSTANCES];
    pw_arena arena;
    pw_arena_init(&arena, 0);
    bool alive = true;
    for (size_t i = 0; alive && i < INSTANCES; i++) {
        char id[8];
        pw_instance_row row;
        (void)snprintf(id, sizeof id, "i%zu", i);
        pawl_code code = pw_store_instance_get(r.store, pw_str_of(id), true, &row, &arena, &r.err);
        if (code == PAWL_OK || code == PAWL_NOT_FOUND)
            there[i] = code == PAWL_OK ? row.token : 0;
        else if ((alive = was_asked_for(code)))
            i--;
    }
    pw_arena_done(&arena);
    if (alive)
        compare(there);
    return alive;
}

static bool define(void)
{
    pw_definition d = { .namespace_ = PW_LIT("shop"),
                        .name = PW_LIT("order"),
                        .version = PW_LIT("1.0.0"),
                        .digest = PW_LIT("digest-1"),
                        .document = PW_LIT("do: []") };
    bool created = false;
    pawl_code code;
    while ((code = pw_store_definition_put(r.store, &d, &created, &r.err)) != PAWL_OK)
        if (!was_asked_for(code) || !come_back())
            return false;
    if (r.defined && created)
        WRONG("the definition was lost");
    return r.defined = true;
}

/* Text that lives as long as the batch. */
__attribute__((format(printf, 2, 3))) static pw_str say(pw_arena *arena, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return pw_arena_str(arena, pw_str_of(text));
}

typedef struct written { /* one of each kind of row */
    pw_transition t;
    pw_bookmark bookmark;
    pw_bookmark_end bookmark_end;
    pw_outbox_event event;
    pw_call_intent call;
    pw_call_outcome outcome;
    pw_fault fault;
} written;

static pw_str state_of(pw_arena *arena, uint64_t token)
{
    pw_str head = say(arena, "{\"at\":%llu,\"pad\":\"", (unsigned long long)token);
    size_t len = head.len + (size_t)r.size + 2;
    char *text = pw_arena_alloc(arena, len);
    memcpy(text, head.ptr, head.len);
    memset(text + head.len, 'a' + (int)(token % 26), (size_t)r.size); /* every page changes */
    memcpy(text + len - 2, "\"}", 2);
    return (pw_str){ text, len };
}

static pw_commit_item item_of(written *w, size_t i, pw_arena *arena)
{
    static const pw_instance_new fresh = { .namespace_ = PW_LIT("shop"),
                                           .name = PW_LIT("order"),
                                           .version = PW_LIT("1.0.0"),
                                           .input_digest = PW_LIT("in") };
    uint64_t token = r.told[i];
    unsigned long long next = token + 1;
    pw_str id = say(arena, "i%zu", i);
    *w = (written){
        .bookmark = { .task = PW_LIT("/do/0"), .visit = next, .key = PW_LIT("k"), .due_at = -1 },
        .bookmark_end = { .visit = token,
                          .key = PW_LIT("k"),
                          .consumed = true,
                          .by = PW_LIT("ann") },
        .event = { .id = say(arena, "i%zu-%llu-0", i, next),
                   .type = PW_LIT("t"),
                   .source = PW_LIT("s"),
                   .payload = PW_LIT("{}") },
        .call = { .task = PW_LIT("/do/0"),
                  .visit = next,
                  .attempt = 1,
                  .kind = PW_LIT("http"),
                  .endpoint = PW_LIT("http://x"),
                  .method = PW_LIT("GET"),
                  .request = PW_LIT("{}"),
                  .key = say(arena, "c%llu", next) },
        .outcome = { .visit = token,
                     .key = say(arena, "c%llu", (unsigned long long)token),
                     .state = PW_CALL_COMPLETED },
        .fault = { .task = PW_LIT("/do/0"),
                   .visit = next,
                   .kind = PW_LIT("activity-fault"),
                   .error = PW_LIT("{}"),
                   .class_ = PW_LIT("other"),
                   .decision = PW_LIT("incident"),
                   .action = PW_LIT("look") },
    };
    w->t = (pw_transition){ .changed = true,
                            .status = PW_WAITING,
                            .wake_at = PW_WAKE_NEVER,
                            .state_text = state_of(arena, token + 1),
                            .entries = PW_LIT("[{\"type\":\"x\"}]"),
                            .bookmarks = &w->bookmark,
                            .bookmark_count = 1,
                            .bookmark_ends = &w->bookmark_end,
                            .bookmark_end_count = token > 0,
                            .events = &w->event,
                            .event_count = 1,
                            .calls = &w->call,
                            .call_count = 1,
                            .outcomes = &w->outcome,
                            .outcome_count = token > 0,
                            .fault = &w->fault,
                            .resolution = token > 0 ? PW_LIT("retried") : (pw_str){ "", 0 } };
    return (
        pw_commit_item){ .instance = id,
                         .token = token,
                         .create = token == 0 ? &fresh : NULL,
                         .transition = &w->t,
                         .event = token == 0 ? PW_EVENT_START : PW_EVENT_DRIVE,
                         .now_ms = 1000,
                         .inbox = { .key = say(arena, "m%llu", next), .kind = PW_LIT("resume") } };
}

static pawl_code commit_batch(unsigned who)
{
    written all[INSTANCES];
    pw_commit_item items[INSTANCES];
    pw_arena arena;
    size_t count = 0;
    pw_arena_init(&arena, 0);
    for (size_t i = 0; i < INSTANCES; i++) {
        if (who & 1u << i) {
            items[count] = item_of(&all[count], i, &arena);
            count++;
            r.asked[i] = r.told[i] + 1;
        }
    }
    pawl_code code = pw_store_commit(r.store, items, count, &r.err);
    for (size_t i = 0; code == PAWL_OK && i < count; i++)
        if (items[i].code != PAWL_OK)
            WRONG("item %zu: %d: %s", i, items[i].code, items[i].error.message);
    pw_arena_done(&arena);
    return code;
}

static bool step(unsigned who)
{
    for (;;) {
        uint64_t before[INSTANCES];
        memcpy(before, r.told, sizeof before);
        pawl_code code = commit_batch(who);
        if (code == PAWL_OK) {
            memcpy(r.told, r.asked, sizeof r.told);
            return true;
        }
        bool nothing = strstr(r.err.message, "nothing was committed") != NULL;
        if (!was_asked_for(code) || !come_back() || !look())
            return false;
        if (memcmp(before, r.told, sizeof before) != 0) {
            if (nothing)
                WRONG("it said that nothing was committed, and all of it is there");
            return true;
        }
    }
}

/* The token of an instance once the script was carried out up to there, and the batch there too. */
static uint64_t target(size_t at, size_t i)
{
    uint64_t token = 0;
    for (size_t k = 0; k <= at; k++)
        token += script[k] < REOPEN && (script[k] & 1u << i) ? 1 : 0;
    return token;
}

/* A batch that was committed without an answer is not made again. */
static bool is_made(size_t at)
{
    for (size_t i = 0; i < INSTANCES; i++)
        if (r.told[i] != target(at, i))
            return false;
    return true;
}

/* The script, up to there. */
static bool go_on(size_t end)
{
    if ((!r.store && !open_store()) || !define())
        return false;
    for (; r.at < end; r.at++) {
        unsigned what = script[r.at];
        bool alive = true;
        if (r.stop_at_failure && r.failed)
            return true;
        if (what == RESTART) {
            close_store();
            alive = open_store();
        } else if (what == REOPEN) {
            alive = come_back();
        } else if (!is_made(r.at)) {
            alive = step(what);
        }
        if (!alive)
            return false;
    }
    return true;
}

/* Power fails now, if it did not before, and returns: all that was said is still true. */
static void power_returns(void)
{
    disk_stop_at(0);
    if (r.store)
        close_store();
    disk_power_over();
    r.failed = r.stop_at_failure = false;
    if (!open_store())
        WRONG("it does not open");
    examine();
}

static void end_well(void)
{
    if (!go_on(PW_LENGTH(script)))
        WRONG("the disk has stopped");
    close_store();
    examine();
    for (size_t i = 0; i < INSTANCES; i++)
        EXPECT_INT(r.told[i], ends[i]);
}

/* Every fourth run goes on to the end. */
static void end_sometimes(void)
{
    if (r.nth % 4 == 0)
        end_well();
    else
        close_store();
}

static bool survives(void)
{
    bool alive = go_on(PW_LENGTH(script));
    if (r.store)
        close_store();
    return alive && !disk_is_stopped();
}

/* ---- the tests */

static bool is_long(void)
{
    const char *text = getenv("PAWL_TEST_LONG");
    return text && strcmp(text, "1") == 0;
}

/* How many seeds, or ways to go on, are tried of each operation; else they take turns. */
static unsigned each(unsigned all)
{
    return is_long() ? all : 1;
}

/* Making the store is most of the operations, all of one kind: not each of them is tried. */
static unsigned stride(bool made)
{
    return made || is_long() ? 1 : 17;
}

TEST(power, without_trouble_the_script_ends_as_written)
{
    begin("nothing goes wrong", 0, 0, false);
    end_well();
}

/* Gives the number of changes of a run without trouble. */
static unsigned power_at_each(bool made)
{
    for (unsigned n = 1;; n += stride(made)) {
        for (unsigned k = 0; k < each(4); k++) {
            begin("power lost at change", n, n + k, made);
            disk_stop_at(n);
            if (survives())
                return n - 1;
            power_returns();
            end_sometimes();
        }
    }
}

TEST(power, lost_at_any_change_it_takes_nothing_that_was_answered)
{
    EXPECT(power_at_each(true) > 150);
}

TEST(power, lost_while_a_store_is_made_it_leaves_one_that_opens)
{
    EXPECT(power_at_each(false) > 250);
}

static unsigned kill_at_each(bool made)
{
    for (unsigned n = 1;; n += stride(made)) {
        for (unsigned k = 0; k < each(4); k++) {
            begin("killed at change", n, n + k, made);
            disk_stop_at(n);
            if (survives())
                return n - 1;
            disk_kill_over();
            bool more = (n + k) % 2 == 1 && r.at < PW_LENGTH(script);
            if (!open_store() || !look() || (more && !go_on(r.at + 1)))
                WRONG("the disk has stopped");
            power_returns();
            end_sometimes();
        }
    }
}

/* What recovery finds it acts upon: so that must be on the disk, and not only in the system's
 * memory. */
TEST(power, lost_after_a_process_was_killed_it_takes_nothing_that_the_next_one_saw)
{
    EXPECT(kill_at_each(true) > 150);
    EXPECT(kill_at_each(false) > 250);
}

/* Large states: the checkpoint thread is at work meanwhile, so a number names no certain change. */
TEST(power, lost_while_the_log_is_moved_into_the_file_it_takes_nothing)
{
    unsigned lost = 0;
    for (unsigned k = 1; k <= (is_long() ? 600 : 24); k++) {
        begin("large states, power lost at change", k * 997 % 3000 + 1, k, true);
        r.size = 300000;
        disk_stop_at(r.nth);
        if (!survives()) {
            lost++;
            power_returns();
        } else {
            examine();
        }
        if (r.store)
            close_store();
    }
    EXPECT(lost >= 20);
}

/* Fails each such operation in turn. Then, by the bits of `mode`: the process dies instead of
 * opening the store again; and the power is lost at once, or after one more batch, or not at all.
 * Gives the number of operations. */
static unsigned fail_each(const char *what, disk_op op, int code, int reason, bool made)
{
    bool few = op == DISK_SYNC || op == DISK_TRUNCATE || op == DISK_OPEN;
    for (unsigned n = 1;; n += few ? 1 : stride(made)) {
        for (unsigned k = 0; k < (few ? 6 : each(6)); k++) {
            unsigned mode = (n + k) % 6;
            begin(what, n, mode, made);
            r.restart = mode & 1;
            r.stop_at_failure = mode < 4;
            disk_fail(op, n, code, reason);
            if (!go_on(PW_LENGTH(script)))
                WRONG("the disk has stopped");
            r.stop_at_failure = false;
            if (r.at == PW_LENGTH(script))
                close_store();
            else if (mode >= 2 && !go_on(r.at + 1))
                WRONG("the disk has stopped");
            if (!disk_has_failed())
                return n - 1;
            disk_fail(op, 0, 0, 0);
            if (mode < 4) {
                power_returns();
                end_sometimes();
            } else {
                end_well();
            }
        }
    }
}

TEST(power, a_read_that_fails_costs_nothing)
{
    EXPECT(fail_each("failing read", DISK_READ, SQLITE_IOERR_READ, EIO, true) >= 40);
    EXPECT(fail_each("failing read", DISK_READ, SQLITE_IOERR_READ, EIO, false) >= 50);
}

TEST(power, a_write_that_fails_half_way_costs_nothing)
{
    EXPECT(fail_each("failing write", DISK_WRITE, SQLITE_IOERR_WRITE, EIO, true) >= 150);
    EXPECT(fail_each("failing write", DISK_WRITE, SQLITE_IOERR_WRITE, EIO, false) >= 200);
}

TEST(power, a_disk_that_is_full_costs_nothing)
{
    EXPECT(fail_each("full at write", DISK_WRITE, SQLITE_FULL, ENOSPC, true) >= 150);
    EXPECT(fail_each("full at write", DISK_WRITE, SQLITE_FULL, ENOSPC, false) >= 200);
}

TEST(power, a_sync_that_fails_costs_nothing)
{
    EXPECT(fail_each("failing sync", DISK_SYNC, SQLITE_IOERR_FSYNC, EIO, true) >= 15);
    EXPECT(fail_each("failing sync", DISK_SYNC, SQLITE_IOERR_FSYNC, EIO, false) >= 15);
}

/* Space that was promised at the write is missed at the sync. */
TEST(power, a_disk_that_is_full_at_a_sync_costs_nothing)
{
    EXPECT(fail_each("full at sync", DISK_SYNC, SQLITE_IOERR_FSYNC, ENOSPC, true) >= 15);
    EXPECT(fail_each("full at sync", DISK_SYNC, SQLITE_IOERR_FSYNC, ENOSPC, false) >= 15);
}

TEST(power, a_truncation_that_fails_costs_nothing)
{
    EXPECT(fail_each("failing truncation", DISK_TRUNCATE, SQLITE_IOERR_TRUNCATE, EIO, true) >= 1);
    EXPECT(fail_each("failing truncation", DISK_TRUNCATE, SQLITE_IOERR_TRUNCATE, EIO, false) >= 2);
}

TEST(power, an_opening_that_fails_costs_nothing)
{
    EXPECT(fail_each("failing opening", DISK_OPEN, SQLITE_CANTOPEN, EMFILE, true) >= 6);
    EXPECT(fail_each("failing opening", DISK_OPEN, SQLITE_CANTOPEN, EMFILE, false) >= 6);
}

int main(int argc, char **argv)
{
    disk_install();
    return pw_test_main(argc, argv);
}
