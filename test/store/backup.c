/* backup.c - copies of a store while it is written to, stores made of copies, and whether one is whole: over a disk and a memory that
 * fail, and a process that is killed. */
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failing_disk.h"
#include "fixture.h"

/* ---- helpers */

static const char *file(const char *name)
{
    static char paths[4][512];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", pw_test_dir(), name);
    return path;
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* How many files there are that are not the store's, nor named. */
static int left_over(const char *but)
{
    int count = 0;
    DIR *dir = opendir(pw_test_dir());
    EXPECT(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.' && strncmp(entry->d_name, "test.db", 7) != 0 && strcmp(entry->d_name, but) != 0;
    (void)closedir(dir);
    return count + exists(file("test.db-restore"));
}

static void raw(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    EXPECT_INT(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
}

static int64_t raw_number(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    EXPECT_INT(sqlite3_open(path, &db), SQLITE_OK);
    EXPECT_INT(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    EXPECT_INT(sqlite3_step(statement), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(statement, 0);
    EXPECT_INT(sqlite3_finalize(statement), SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    return n;
}

static pawl_code open_at(fixture *f, const char *path, pw_store_mode mode)
{
    memset(f, 0, sizeof *f);
    pw_arena_init(&f->arena, 0);
    pw_store_options options = { S(path), mode, false };
    pawl_code code = pw_store_open(&f->store, &options, &f->err);
    if (code != PAWL_OK)
        pw_arena_done(&f->arena);
    return code;
}

/* The token of an instance of a store that nobody owns; 0: there is none. */
static uint64_t token_in(const char *path, const char *id)
{
    fixture g;
    EXPECT_OK(open_at(&g, path, PW_STORE_READ), g.err);
    pw_instance_row row = { .token = 0 };
    pawl_code code = pw_store_instance_get(g.store, S(id), false, &row, &g.arena, &g.err);
    EXPECT(code == PAWL_OK || code == PAWL_NOT_FOUND);
    fixture_done(&g);
    return code == PAWL_OK ? row.token : 0;
}

static char large[300000];

/* Some 3 MiB: several goes of a copy. */
static void have_much(fixture *f)
{
    fixture_open(f, true);
    have_definition(f);
    memset(large, 's', sizeof large);
    for (int i = 0; i < 10; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "i%d", i);
        pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "");
        t.state_text = (pw_str){ large, sizeof large };
        step(f, id, 0, &t, 1000);
    }
}

static fixture f; /* of the running test */
static pw_store_copy copy;

static pawl_code back_up(const char *name)
{
    return pw_store_backup(&copy, S(f.uri), S(file(name)), NULL, &f.err);
}

static pawl_code restore(const char *name, const char *store, bool replace)
{
    return pw_store_restore(&copy, S(file(name)), S(file(store)), replace, NULL, &f.err);
}

/* A store with one instance at token 2, whose backup b.db has it at token 1. */
static void have_backup(void)
{
    disk_is_well();
    fixture_open(&f, true);
    have_definition(&f);
    have_instance(&f, "i1", 1000);
    EXPECT_OK(back_up("b.db"), f.err);
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{\"at\":2}");
    step(&f, "i1", 1, &t, 2000);
}

/* ---- backup */

static unsigned goes;

static bool step_between(void *context, uint64_t done, uint64_t all)
{
    EXPECT(done <= all && all > 256);
    goes++;
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{\"at\":2}");
    for (int i = 0; i < 10 && goes == 1; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "i%d", i);
        step(context, id, 1, &t, 2000);
    }
    return true;
}

TEST(backup, it_is_the_store_as_of_one_commit_while_its_owner_goes_on)
{
    have_much(&f);
    const pw_backup_progress progress = { step_between, &f };
    goes = 0;
    EXPECT_OK(pw_store_backup(&copy, S(f.uri), S(file("b.db")), &progress, &f.err), f.err);
    EXPECT(goes >= 3);
    EXPECT_INT(copy.instances, 10);
    EXPECT_INT(copy.schema, PW_SCHEMA_VERSION);
    EXPECT_STR(pw_store_generation(f.store), copy.generation);
    EXPECT_INT(get(&f, "i0").token, 2);
    EXPECT_INT(get(&f, "i9").token, 2);
    EXPECT_INT(token_in(file("b.db"), "i0"), 1);
    EXPECT_INT(token_in(file("b.db"), "i9"), 1);
    struct stat info;
    EXPECT_INT(stat(file("b.db"), &info), 0);
    EXPECT_INT(copy.bytes, info.st_size);
    EXPECT_INT(info.st_mode & 0777, 0600); /* it has what the store has */
    EXPECT_INT(left_over("b.db"), 0);
    EXPECT_OK(pw_store_check(&copy, S(file("b.db")), &f.err), f.err);
    fixture_done(&f);
}

TEST(backup, it_can_be_read_and_is_owned_by_nobody)
{
    have_backup();
    fixture g;
    EXPECT_INT(token_in(file("b.db"), "i1"), 1);
    EXPECT_INT(open_at(&g, file("b.db"), PW_STORE_OWN), PAWL_INVALID);
    EXPECT_CONTAINS(g.err.message, "is a backup");
    EXPECT_CONTAINS(g.err.message, "pawl restore");
    EXPECT_INT(pw_store_migrate(S(file("b.db")), NULL, NULL, &f.err), PAWL_INVALID);
    fixture_done(&f);
}

static bool make_the_file(void *context, uint64_t done, uint64_t all)
{
    (void)done;
    (void)all;
    raw(context, "CREATE TABLE IF NOT EXISTS song (name)");
    return true;
}

TEST(backup, a_file_that_is_there_is_left_alone)
{
    have_backup();
    EXPECT_INT(back_up("b.db"), PAWL_CONFLICT);
    EXPECT_CONTAINS(f.err.message, "give the backup another name");
    EXPECT_INT(token_in(file("b.db"), "i1"), 1);
    char *late = strdup(file("late.db")); /* it comes while the copy is made */
    const pw_backup_progress progress = { make_the_file, late };
    EXPECT_INT(pw_store_backup(&copy, S(f.uri), S(late), &progress, &f.err), PAWL_CONFLICT);
    EXPECT_INT(raw_number(late, "SELECT count(*) FROM sqlite_schema WHERE name = 'song'"), 1);
    free(late);
    EXPECT_INT(left_over("b.db"), 1); /* late.db itself */
    fixture_done(&f);
}

static bool stop_it(void *context, uint64_t done, uint64_t all)
{
    (void)context;
    return done == all;
}

TEST(backup, one_that_is_stopped_leaves_nothing)
{
    have_much(&f);
    const pw_backup_progress progress = { stop_it, NULL };
    EXPECT_INT(pw_store_backup(&copy, S(f.uri), S(file("b.db")), &progress, &f.err), PAWL_LOST);
    EXPECT_INT(left_over(""), 0);
    EXPECT_OK(back_up("b.db"), f.err);
    EXPECT_INT(pw_store_restore(&copy, S(file("b.db")), S(file("new.db")), false, &progress, &f.err), PAWL_LOST);
    EXPECT(!exists(file("new.db")) && !exists(file("new.db-restore")));
    fixture_done(&f);
}

static bool stop_the_check(void *context, uint64_t done, uint64_t all)
{
    unsigned *whole = context; /* it was told so often that all is copied: once by the copy, then by the check of it */
    *whole += done == all;
    return *whole < 2;
}

TEST(backup, one_that_is_stopped_while_the_copy_is_checked_leaves_nothing)
{
    unsigned whole = 0;
    const pw_backup_progress progress = { stop_the_check, &whole };
    have_much(&f);
    EXPECT_INT(pw_store_backup(&copy, S(f.uri), S(file("b.db")), &progress, &f.err), PAWL_LOST);
    EXPECT_INT(whole, 2);
    EXPECT_INT(left_over(""), 0);
    EXPECT_OK(back_up("b.db"), f.err);
    whole = 0;
    EXPECT_INT(pw_store_restore(&copy, S(file("b.db")), S(file("new.db")), false, &progress, NULL), PAWL_LOST);
    EXPECT_INT(whole, 2);
    EXPECT(!exists(file("new.db")) && !exists(file("new.db-restore")));
    fixture_done(&f);
}

TEST(backup, what_has_no_file_is_refused)
{
    pawl_error err;
    EXPECT_INT(pw_store_backup(&copy, S("memory:"), S(file("b.db")), NULL, &err), PAWL_INVALID);
    EXPECT_CONTAINS(err.message, "there is nothing to back up");
    EXPECT_INT(pw_store_restore(&copy, S(file("b.db")), S("memory:"), false, NULL, &err), PAWL_INVALID);
    EXPECT_INT(pw_store_check(&copy, S("memory:"), &err), PAWL_INVALID);
    EXPECT_INT(pw_store_backup(&copy, S(file("no.db")), S(file("b.db")), NULL, &err), PAWL_NOT_FOUND);
    EXPECT_INT(pw_store_restore(&copy, S(file("no.db")), S(file("s.db")), false, NULL, &err), PAWL_NOT_FOUND);
    EXPECT(!exists(file("s.db")));
    disk_is_well();
    fixture_open(&f, true);
    EXPECT_INT(pw_store_backup(&copy, S(f.uri), S(""), NULL, &err), PAWL_INVALID);
    EXPECT_INT(pw_store_backup(&copy, S(f.uri), S(file("no/b.db")), NULL, &err), PAWL_IO);
    raw(file("other.db"), "CREATE TABLE song (name)");
    EXPECT_INT(pw_store_backup(&copy, S(file("other.db")), S(file("b.db")), NULL, &err), PAWL_INVALID);
    EXPECT_CONTAINS(err.message, "a SQLite database of another program");
    fixture_done(&f);
}

/* ---- restore */

TEST(restore, a_store_out_of_a_backup_is_nobodys_and_has_a_generation_of_its_own)
{
    disk_is_well();
    fixture_open(&f, true);
    have_definition(&f);
    have_instance(&f, "i1", 1000);
    pw_partitions taken;
    EXPECT_OK(pw_store_partitions_take(f.store, S("node-1"), PW_ALL_PARTITIONS, &taken, &f.err), f.err);
    raw(file("test.db"), "INSERT INTO bulk (id, request, actor, created_ms, epoch, state, counted, done, skipped, failed, node, leased_until,"
                         " changed_ms) VALUES ('b', '{}', 'ann', 1, 4, 'running', 1, 0, 0, 0, 'node-1', 99, 1)");
    char generation[40], secret[80];
    (void)snprintf(generation, sizeof generation, PW_FMT, PW_ARG(pw_store_generation(f.store)));
    (void)snprintf(secret, sizeof secret, PW_FMT, PW_ARG(pw_store_secret(f.store)));
    EXPECT_OK(back_up("b.db"), f.err);
    fixture_done(&f);
    EXPECT_OK(restore("b.db", "new.db", false), f.err);
    EXPECT_INT(copy.instances, 1);
    EXPECT_INT(raw_number(file("new.db"), "SELECT count(*) FROM node"), 0);
    EXPECT_INT(raw_number(file("new.db"), "SELECT count(*) FROM partition WHERE node IS NOT NULL"), 0);
    EXPECT_INT(raw_number(file("new.db"), "SELECT count(*) FROM partition WHERE epoch = 1"), 64); /* it goes on rising */
    EXPECT_INT(raw_number(file("new.db"), "SELECT count(*) FROM bulk WHERE node IS NULL AND leased_until IS NULL AND epoch = 5"), 1);
    EXPECT_OK(open_at(&f, file("new.db"), PW_STORE_OWN), f.err);
    EXPECT_STR(pw_store_generation(f.store), copy.generation);
    EXPECT(strcmp(generation, copy.generation) != 0 && strlen(copy.generation) == 32);
    EXPECT_STR(pw_store_secret(f.store), secret);
    size_t past = 0;
    EXPECT_STR(pw_store_past_generations(f.store, &past)[0], generation);
    EXPECT_INT(past, 1);
    EXPECT_INT(get(&f, "i1").token, 1);
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{\"at\":2}");
    step(&f, "i1", 1, &t, 2000);
    fixture_done(&f);
}

TEST(restore, a_store_that_is_there_is_replaced_only_when_that_is_said_and_nobody_owns_it)
{
    have_backup();
    EXPECT_INT(restore("b.db", "test.db", false), PAWL_CONFLICT);
    EXPECT_CONTAINS(f.err.message, "--replace");
    EXPECT_INT(restore("b.db", "test.db", true), PAWL_BUSY);
    fixture_done(&f);
    EXPECT_INT(token_in(file("test.db"), "i1"), 2);
    EXPECT_INT(left_over("b.db"), 0);
    EXPECT_INT(chmod(file("test.db"), 0640), 0);
    EXPECT_OK(restore("b.db", "test.db", true), f.err);
    EXPECT_INT(token_in(file("test.db"), "i1"), 1);
    struct stat info;
    EXPECT_INT(stat(file("test.db"), &info), 0);
    EXPECT_INT(info.st_mode & 0777, 0640); /* as the old one */
    EXPECT_INT(left_over("b.db"), 0);
}

TEST(restore, what_is_no_store_is_not_replaced_and_nothing_is_restored_from_itself)
{
    have_backup();
    fixture_done(&f);
    raw(file("other.db"), "CREATE TABLE song (name)");
    EXPECT_INT(restore("b.db", "other.db", true), PAWL_INVALID);
    EXPECT_CONTAINS(f.err.message, "remove it first");
    EXPECT_INT(raw_number(file("other.db"), "SELECT count(*) FROM song"), 0);
    EXPECT_INT(restore("other.db", "test.db", true), PAWL_INVALID);
    EXPECT_INT(restore("test.db", "test.db", true), PAWL_INVALID);
    EXPECT_CONTAINS(f.err.message, "from itself");
    EXPECT_INT(symlink(file("b.db"), file("link.db")), 0);
    EXPECT_INT(restore("link.db", "b.db", true), PAWL_INVALID);
    EXPECT_INT(token_in(file("test.db"), "i1"), 2);
}

/* What its log holds belongs to the old file, and must not be read into the new one. */
TEST(restore, the_log_of_the_store_that_is_replaced_goes_with_it)
{
    have_backup();
    sqlite3 *reader = NULL; /* so the log stays when the store is closed */
    EXPECT_INT(sqlite3_open(file("test.db"), &reader), SQLITE_OK);
    EXPECT_INT(sqlite3_exec(reader, "SELECT count(*) FROM step", NULL, NULL, NULL), SQLITE_OK);
    memset(large, 's', sizeof large);
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "");
    t.state_text = (pw_str){ large, sizeof large };
    step(&f, "i1", 2, &t, 3000);
    fixture_done(&f);
    EXPECT(exists(file("test.db-wal")));
    EXPECT_OK(restore("b.db", "test.db", true), f.err);
    EXPECT(!exists(file("test.db-wal")));
    EXPECT_OK(pw_store_check(&copy, S(file("test.db")), &f.err), f.err);
    EXPECT_INT(token_in(file("test.db"), "i1"), 1);
    EXPECT_INT(sqlite3_exec(reader, "SELECT count(*) FROM step", NULL, NULL, NULL), SQLITE_OK); /* of its own files */
    EXPECT_INT(sqlite3_close(reader), SQLITE_OK);
    EXPECT_OK(open_at(&f, file("test.db"), PW_STORE_OWN), f.err);
    EXPECT_INT(get(&f, "i1").token, 1);
    fixture_done(&f);
}

TEST(restore, a_store_that_is_read_in_that_moment_is_not_replaced)
{
    have_backup();
    sqlite3 *reader = NULL;
    EXPECT_INT(sqlite3_open(file("test.db"), &reader), SQLITE_OK);
    EXPECT_INT(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM step", NULL, NULL, NULL), SQLITE_OK);
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{\"at\":3}");
    step(&f, "i1", 2, &t, 3000);
    fixture_done(&f);
    EXPECT_INT(restore("b.db", "test.db", true), PAWL_BUSY);
    EXPECT_INT(sqlite3_close(reader), SQLITE_OK);
    EXPECT_INT(token_in(file("test.db"), "i1"), 3);
    EXPECT_INT(left_over("b.db"), 0);
}

static void overwrite(const char *path, long at, const char *bytes, size_t len)
{
    FILE *out = fopen(path, "r+be");
    EXPECT(out != NULL);
    EXPECT_INT(fseek(out, at, SEEK_SET), 0);
    EXPECT_INT(fwrite(bytes, 1, len, out), len);
    EXPECT_INT(fclose(out), 0);
}

TEST(restore, a_damaged_backup_changes_nothing)
{
    have_backup();
    fixture_done(&f);
    struct stat info;
    EXPECT_INT(stat(file("b.db"), &info), 0);
    size_t size = 0;
    char *whole = pw_test_read(file("b.db"), &size);
    int refused = 0, tried = 0;
    char noise[512];
    memset(noise, 0xa5, sizeof noise);
    for (long at = 0; at < (long)size; at += 4096, tried++) { /* the head of each page */
        overwrite(file("b.db"), at, noise, sizeof noise);
        pawl_code code = restore("b.db", "test.db", true);
        if (code == PAWL_OK) { /* a page that holds nothing */
            EXPECT_OK(pw_store_check(&copy, S(file("test.db")), &f.err), f.err);
            EXPECT_INT(token_in(file("test.db"), "i1"), 1);
        } else {
            EXPECT(code == PAWL_CORRUPT || (at == 0 && code == PAWL_INVALID));
            EXPECT_CONTAINS(f.err.message, "b.db");
            refused++;
        }
        overwrite(file("b.db"), at, whole + at, sizeof noise);
    }
    EXPECT(refused > tried / 2);
    EXPECT_INT(left_over("b.db"), 0);
    EXPECT_INT(truncate(file("b.db"), (off_t)size - 8192), 0);
    EXPECT_INT(restore("b.db", "test.db", true), PAWL_CORRUPT);
    EXPECT_OK(pw_store_check(&copy, S(file("test.db")), &f.err), f.err);
    free(whole);
}

TEST(restore, a_damaged_store_can_be_replaced)
{
    have_backup();
    fixture_done(&f);
    char noise[60000];
    memset(noise, 0xa5, sizeof noise);
    overwrite(file("test.db"), 4096, noise, sizeof noise);
    EXPECT_INT(pw_store_check(&copy, S(file("test.db")), &f.err), PAWL_CORRUPT);
    EXPECT_INT(back_up("no.db"), PAWL_CORRUPT);
    EXPECT_INT(left_over("b.db"), 0);
    EXPECT_OK(restore("b.db", "test.db", true), f.err);
    EXPECT_INT(token_in(file("test.db"), "i1"), 1);
}

/* ---- a disk and a memory that fail */

typedef enum trouble { BAD_WRITE, FULL_WRITE, BAD_READ, BAD_SYNC, TROUBLES } trouble;

static void let_fail(trouble what, int n)
{
    atomic_store(&disk.write_code, what == FULL_WRITE ? SQLITE_FULL : SQLITE_IOERR_WRITE);
    atomic_store(what == BAD_READ ? &disk.read_in : what == BAD_SYNC ? &disk.sync_in : &disk.write_in, n);
}

TEST(backup, a_disk_that_fails_anywhere_leaves_no_file)
{
    have_backup();
    for (trouble what = 0; what < TROUBLES; what++) {
        bool done = false;
        int failures = 0;
        for (int n = 1; n < 3000 && !done; n += n < 8 ? 1 : n / 4) {
            let_fail(what, n);
            pawl_code code = back_up("c.db");
            disk_is_well();
            done = code == PAWL_OK;
            failures += done ? 0 : 1;
            if (!done && (code != PAWL_IO || exists(file("c.db"))))
                fail_msg("trouble %d at %d: %d: %s", (int)what, n, (int)code, f.err.message);
            if (what == FULL_WRITE && !done)
                EXPECT_CONTAINS(f.err.message, "the disk is full");
        }
        EXPECT(done);
        EXPECT(failures >= (what == BAD_SYNC ? 1 : 4));
        EXPECT_INT(token_in(file("c.db"), "i1"), 2);
        EXPECT_INT(unlink(file("c.db")), 0);
        EXPECT_INT(left_over("b.db"), 0);
    }
    EXPECT_INT(get(&f, "i1").token, 2);
    fixture_done(&f);
}

TEST(restore, a_disk_that_fails_anywhere_leaves_the_old_store_or_the_new_one)
{
    for (trouble what = 0; what < TROUBLES; what++) {
        have_backup();
        fixture_done(&f);
        bool done = false;
        int failures = 0;
        for (int n = 1; n < 3000 && !done; n += n < 8 ? 1 : n / 4) {
            let_fail(what, n);
            pawl_code code = restore("b.db", "test.db", true);
            disk_is_well();
            done = code == PAWL_OK;
            failures += done ? 0 : 1;
            if (!done && code != PAWL_IO)
                fail_msg("trouble %d at %d: %d: %s", (int)what, n, (int)code, f.err.message);
            EXPECT_INT(token_in(file("test.db"), "i1"), done ? 1 : 2);
        }
        EXPECT(done);
        EXPECT(failures >= (what == BAD_SYNC ? 1 : 4));
        EXPECT_INT(left_over("b.db"), 0);
        EXPECT_INT(unlink(file("b.db")), 0);
        EXPECT_INT(unlink(file("test.db")), 0);
    }
}

TEST(restore, memory_that_runs_out_is_told_and_leaves_nothing)
{
    let_memory_fail();
    have_backup();
    fixture_done(&f);
    bool done = false;
    unsigned failures = 0;
    for (int n = 1; n < 300000 && !done; n += n < 40 ? 1 : n / 12) {
        atomic_store(&memory_in, n);
        pawl_code code = restore("b.db", "test.db", true);
        atomic_store(&memory_in, 0);
        done = code == PAWL_OK;
        failures += done ? 0 : 1;
        if (!done && code != PAWL_NO_MEMORY && code != PAWL_IO)
            fail_msg("at allocation %d: %d: %s", n, (int)code, f.err.message);
        EXPECT_INT(token_in(file("test.db"), "i1"), done ? 1 : 2);
    }
    EXPECT(done);
    EXPECT(failures > 40);
    EXPECT_INT(left_over("b.db"), 0);
}

/* ---- killed */

#ifdef PW_FAULTS
/* Runs this program anew (see main), dying at the fault point; gives how it ended. */
static int run_to_death(const char *what, const char *from, const char *to, const char *point)
{
    (void)fflush(stdout);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        (void)setenv("PAWL_FAULT", point, 1);
        (void)execl("/proc/self/exe", "test_store_backup", what, from, to, (char *)NULL);
        _exit(93);
    }
    int status = 0;
    EXPECT_INT(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
#endif

TEST(backup, one_that_is_killed_leaves_a_whole_file_or_none)
{
#ifndef PW_FAULTS
    pw_test_skip("built without fault points");
#else
    have_backup();
    EXPECT_INT(run_to_death("--backup", file("test.db"), file("c.db"), "store-in-copy"), 128 + SIGKILL);
    EXPECT_INT(run_to_death("--backup", file("test.db"), file("c.db"), "store-before-backup"), 128 + SIGKILL);
    EXPECT(!exists(file("c.db")));
    EXPECT_INT(run_to_death("--backup", file("test.db"), file("c.db"), "store-after-backup"), 128 + SIGKILL);
    EXPECT_INT(token_in(file("c.db"), "i1"), 2);
    EXPECT_OK(pw_store_check(&copy, S(file("c.db")), &f.err), f.err);
    fixture_done(&f);
#endif
}

TEST(restore, one_that_is_killed_leaves_the_old_store_or_the_new_one)
{
#ifndef PW_FAULTS
    pw_test_skip("built without fault points");
#else
    static const struct {
        const char *point;
        uint64_t token; /* that is found afterwards */
    } cases[] = { { "store-in-copy", 2 }, { "store-before-restore", 2 }, { "store-settled", 2 }, { "store-after-restore", 1 } };
    have_backup();
    fixture_done(&f);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        EXPECT_INT(run_to_death("--restore", file("b.db"), file("test.db"), cases[i].point), 128 + SIGKILL);
        EXPECT_OK(pw_store_check(&copy, S(file("test.db")), &f.err), f.err);
        EXPECT_INT(token_in(file("test.db"), "i1"), cases[i].token);
    }
    EXPECT_OK(restore("b.db", "test.db", true), f.err); /* what the others left is gone */
    EXPECT_INT(left_over("b.db"), 0);
#endif
}

/* ---- check */

static void expect_damage(const char *sql, const char *words)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s", file("d.db"));
    (void)unlink(path);
    EXPECT_OK(restore("b.db", "d.db", false), f.err);
    raw(path, sql);
    EXPECT_INT(pw_store_check(&copy, S(path), &f.err), PAWL_CORRUPT);
    EXPECT_CONTAINS(f.err.message, words);
    EXPECT_INT(pw_store_restore(&copy, S(path), S(file("e.db")), false, NULL, &f.err), PAWL_CORRUPT); /* nor is it restored */
    EXPECT(!exists(file("e.db")));
}

TEST(check, what_does_not_hold_is_named)
{
    disk_is_well();
    fixture_open(&f, true);
    have_definition(&f);
    have_instance(&f, "i1", 1000);
    for (uint64_t token = 1; token < 4; token++) {
        pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
        step(&f, "i1", token, &t, 2000);
    }
    raw(file("test.db"), "INSERT INTO payload VALUES ('i1', '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824', 'hello')");
    EXPECT_OK(pw_store_check(&copy, S(f.uri), &f.err), f.err); /* beside its owner */
    EXPECT_INT(copy.instances, 1);
    EXPECT_OK(back_up("b.db"), f.err);
    expect_damage("DROP TRIGGER step_is_never_deleted_alone; DELETE FROM step WHERE sequence = 3",
                  "instance 'i1' is at step 4, and its log has 3 steps, 1 to 4");
    expect_damage("DROP TRIGGER step_is_never_deleted_alone; DELETE FROM step WHERE sequence = 4", "its log has 3 steps, 1 to 3");
    expect_damage("DROP TRIGGER step_is_never_deleted_alone; DELETE FROM step", "its log has 0 steps");
    expect_damage("UPDATE instance SET partition = (partition + 1) % 64", "the partition is wrong of instance i1");
    expect_damage("INSERT INTO label VALUES ('i2', 'n', 'v', 1)", "a row belongs to nothing, in the table label");
    expect_damage("DROP TRIGGER payload_is_never_changed; UPDATE payload SET value = 'hallo'",
                  "a payload has another digest than its name, of instance i1");
    expect_damage("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'created_ms, id) WHERE schedule', "
                  "'updated_ms, id) WHERE token > 0 AND schedule') WHERE name = 'instance_schedule';"
                  "UPDATE sqlite_schema SET sql = replace(sql, '(created_ms, id)', '(created_ms, id) WHERE token < 0') "
                  "WHERE name = 'instance_created'",
                  "instance_created");
    fixture_done(&f);
}

/* What cleanup leaves of an instance that has ended is no damage. */
TEST(check, the_beginning_of_a_log_may_have_been_cleaned_away)
{
    disk_is_well();
    fixture_open(&f, true);
    have_definition(&f);
    have_instance(&f, "i1", 1000);
    for (uint64_t token = 1; token < 4; token++) {
        pw_transition t = transition(token == 3 ? PW_COMPLETED : PW_WAITING, PW_WAKE_NEVER, "{}");
        step(&f, "i1", token, &t, 2000);
    }
    raw(file("test.db"), "DROP TRIGGER step_is_never_deleted_alone; DELETE FROM step WHERE sequence < 3");
    EXPECT_OK(pw_store_check(&copy, S(f.uri), &f.err), f.err);
    raw(file("test.db"), "DELETE FROM step");
    EXPECT_OK(pw_store_check(&copy, S(f.uri), &f.err), f.err);
    fixture_done(&f);
}

int main(int argc, char **argv)
{
    pawl_error err;
    pw_store_copy made;
    if (argc == 4 && strcmp(argv[1], "--backup") == 0)
        return pw_store_backup(&made, S(argv[2]), S(argv[3]), NULL, &err) == PAWL_OK ? 0 : 1;
    if (argc == 4 && strcmp(argv[1], "--restore") == 0)
        return pw_store_restore(&made, S(argv[2]), S(argv[3]), true, NULL, &err) == PAWL_OK ? 0 : 1;
    return pw_test_main(argc, argv);
}
