/* sqlite.c - what only the SQLite store promises: whose file it is, who owns it, reading beside the
 * owner, and a schema that defends itself against whoever opens it with another program. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

/* ---- helpers */

static char path[512];

static const char *file(const char *name)
{
    (void)snprintf(path, sizeof path, "%s/%s", pw_test_dir(), name);
    return path;
}

static pawl_code open_store(pw_store **out, const char *name, pw_store_mode mode, bool create,
                            pawl_error *err)
{
    pw_store_options options = { S(name), mode, create };
    *out = NULL;
    pawl_code code = pw_store_open(out, &options, err);
    EXPECT(code == PAWL_OK || *out == NULL);
    return code;
}

/* Opens the file with SQLite itself and runs one statement; gives its message, "" if it went well.
 */
static const char *raw(const char *name, const char *sql)
{
    static char message[256];
    sqlite3 *db = NULL;
    EXPECT_INT(sqlite3_open(name, &db), SQLITE_OK);
    EXPECT_INT(sqlite3_exec(db, "PRAGMA foreign_keys = ON", NULL, NULL, NULL), SQLITE_OK);
    message[0] = '\0';
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        (void)snprintf(message, sizeof message, "%s", sqlite3_errmsg(db));
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    return message;
}

static int64_t raw_number(const char *name, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    EXPECT_INT(sqlite3_open(name, &db), SQLITE_OK);
    EXPECT_INT(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    EXPECT_INT(sqlite3_step(statement), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(statement, 0);
    EXPECT_INT(sqlite3_finalize(statement), SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    return n;
}

static void write_file(const char *name, const void *bytes, size_t len)
{
    FILE *out = fopen(name, "wbe");
    EXPECT(out != NULL);
    EXPECT_INT(fwrite(bytes, 1, len, out), len);
    EXPECT_INT(fclose(out), 0);
}

static bool exists(const char *name)
{
    return access(name, F_OK) == 0;
}

/* A closed store with one instance in it. */
static void have_store(const char *name)
{
    fixture f;
    memset(&f, 0, sizeof f);
    pw_arena_init(&f.arena, 0);
    EXPECT_OK(open_store(&f.store, name, PW_STORE_OWN, true, &f.err), f.err);
    have_definition(&f);
    have_instance(&f, "i1", 1000);
    fixture_done(&f);
}

/* Runs `work` in a process of its own, as nobody if `unprivileged`; gives what it returned. */
static int in_child(int (*work)(const char *name), const char *name, bool unprivileged)
{
    (void)fflush(stdout);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        if (unprivileged && geteuid() == 0 &&
            (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
            _exit(99);
        _exit(work(name));
    }
    int status = 0;
    EXPECT_INT(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What a child has to say goes through a file; not in the test's directory, which may be closed to
 * it. */
static char said_path[64];

__attribute__((constructor)) static void name_said_path(void)
{
    (void)snprintf(said_path, sizeof said_path, "/tmp/pawl-test-said-%ld", (long)getpid());
}

static int told(pawl_code code, const pawl_error *err)
{
    FILE *out = fopen(said_path, "we");
    if (!out)
        return 98;
    (void)fprintf(out, "%s", code == PAWL_OK ? "" : err->message);
    (void)fclose(out);
    return (int)code;
}

/* ---- URIs */

TEST(sqlite, a_uri_is_a_path_or_names_its_kind)
{
    static const struct {
        const char *uri, *path;
    } good[] = {
        { "sqlite:work.db", "work.db" },
        { "sqlite:/a/b", "/a/b" },
        { "work.db", "work.db" },
        { "./a:b", "./a:b" },
        { "/a/b c?d#e", "/a/b c?d#e" },
        { "memory:", "" },
        { "C:x", "C:x" },
        { "x", "x" },
    };
    pawl_error err;
    pw_str out;
    for (size_t i = 0; i < PW_LENGTH(good); i++) {
        EXPECT_OK(pw_store_uri_path(&out, S(good[i].uri), &err), err);
        EXPECT_STR(out, good[i].path);
    }
    static const char *const bad[] = { "",         "sqlite:", "postgresql://h/d", "postgres://h/d",
                                       "memory:x", "file:x",  "http://x" };
    for (size_t i = 0; i < PW_LENGTH(bad); i++)
        EXPECT_INT(pw_store_uri_path(&out, S(bad[i]), &err), PAWL_INVALID);
    EXPECT_TEXT(err.message, "'http://x': this program knows no 'http:' stores: write "
                             "'sqlite:PATH', a path, or 'memory:'");
    EXPECT_INT(pw_store_uri_path(&out, (pw_str){ "a\0b", 3 }, &err), PAWL_INVALID);
}

/* ---- making and opening */

TEST(sqlite, a_store_is_made_only_when_asked_to)
{
    pw_store *store = NULL;
    pawl_error err;
    EXPECT_INT(open_store(&store, file("a.db"), PW_STORE_OWN, false, &err), PAWL_NOT_FOUND);
    EXPECT_CONTAINS(err.message, "there is no store '");
    EXPECT_INT(open_store(&store, file("a.db"), PW_STORE_READ, true, &err), PAWL_NOT_FOUND);
    EXPECT(!exists(file("a.db")));
    EXPECT(!exists(file("a.db-lock")));
    EXPECT_OK(open_store(&store, file("a.db"), PW_STORE_OWN, true, &err), err);
    pw_store_close(store);
    EXPECT_OK(open_store(&store, file("a.db"), PW_STORE_OWN, false, &err), err);
    EXPECT_INT(pw_store_generation(store).len, 32);
    EXPECT_STR(pw_store_path(store), file("a.db"));
    pw_store_close(store);
    EXPECT(!exists(file("a.db-wal"))); /* closed properly */
}

TEST(sqlite, the_generation_stays_and_differs_between_stores)
{
    pw_store *a = NULL, *b = NULL;
    pawl_error err;
    char first[64];
    EXPECT_OK(open_store(&a, file("a.db"), PW_STORE_OWN, true, &err), err);
    EXPECT_OK(open_store(&b, file("b.db"), PW_STORE_OWN, true, &err), err);
    EXPECT(!pw_str_eq(pw_store_generation(a), pw_store_generation(b)));
    (void)snprintf(first, sizeof first, PW_FMT, PW_ARG(pw_store_generation(a)));
    pw_store_close(a);
    pw_store_close(b);
    EXPECT_OK(open_store(&a, file("a.db"), PW_STORE_READ, false, &err), err);
    EXPECT_STR(pw_store_generation(a), first);
    pw_store_close(a);
}

TEST(sqlite, an_empty_file_is_a_new_store)
{
    pw_store *store = NULL;
    pawl_error err;
    write_file(file("a.db"), "", 0);
    EXPECT_INT(open_store(&store, file("a.db"), PW_STORE_OWN, false, &err), PAWL_NOT_FOUND);
    EXPECT_INT(open_store(&store, file("a.db"), PW_STORE_READ, false, &err), PAWL_NOT_FOUND);
    EXPECT_OK(open_store(&store, file("a.db"), PW_STORE_OWN, true, &err), err);
    pw_store_close(store);
}

TEST(sqlite, a_missing_directory_is_said)
{
    pw_store *store = NULL;
    pawl_error err;
    EXPECT_INT(open_store(&store, file("no/such/a.db"), PW_STORE_OWN, true, &err), PAWL_IO);
    EXPECT_CONTAINS(err.message, "its directory does not exist: make it first");
}

TEST(sqlite, a_directory_or_a_pipe_is_no_store)
{
    pw_store *store = NULL;
    pawl_error err;
    EXPECT_INT(open_store(&store, pw_test_dir(), PW_STORE_OWN, true, &err), PAWL_INVALID);
    EXPECT_CONTAINS(err.message, "is a directory, not a Pawl store");
    EXPECT_INT(mkfifo(file("pipe"), 0600), 0);
    EXPECT_INT(open_store(&store, file("pipe"), PW_STORE_OWN, true, &err), PAWL_INVALID);
    EXPECT_CONTAINS(err.message, "is no regular file");
}

TEST(sqlite, a_file_that_is_not_ours_stays_as_it_is)
{
    pw_store *store = NULL;
    pawl_error err;
    static const char text[] =
        "dear diary, this is not a database at all, but it is long enough to be one";
    write_file(file("diary.txt"), text, sizeof text - 1);
    for (int mode = PW_STORE_OWN; mode <= PW_STORE_READ; mode++) {
        EXPECT_INT(open_store(&store, file("diary.txt"), (pw_store_mode)mode, true, &err),
                   PAWL_INVALID);
        EXPECT_CONTAINS(err.message, "is not a Pawl store (it is no SQLite database");
    }
    size_t len = 0;
    char *after = pw_test_read(file("diary.txt"), &len);
    EXPECT_TEXT(after, text);
    free(after);
    EXPECT(!exists(file("diary.txt-lock")));

    EXPECT_TEXT(raw(file("other.db"), "CREATE TABLE song (title TEXT)"), "");
    for (int mode = PW_STORE_OWN; mode <= PW_STORE_READ; mode++) {
        EXPECT_INT(open_store(&store, file("other.db"), (pw_store_mode)mode, true, &err),
                   PAWL_INVALID);
        EXPECT_CONTAINS(
            err.message,
            "is not a Pawl store (a SQLite database of another program): name another file");
    }
    EXPECT_INT(raw_number(file("other.db"), "SELECT count(*) FROM sqlite_schema"), 1);
    EXPECT(!exists(file("other.db-wal")));
    EXPECT_TEXT(raw(file("other.db"), "PRAGMA application_id = 7"), "");
    EXPECT_INT(open_store(&store, file("other.db"), PW_STORE_OWN, true, &err), PAWL_INVALID);
}

TEST(sqlite, a_newer_schema_is_refused_and_an_unknown_one_is_damage)
{
    pw_store *store = NULL;
    pawl_error err;
    have_store(file("a.db"));
    EXPECT_TEXT(raw(file("a.db"), "PRAGMA user_version = 7"), "");
    for (int mode = PW_STORE_OWN; mode <= PW_STORE_READ; mode++) {
        EXPECT_INT(open_store(&store, file("a.db"), (pw_store_mode)mode, true, &err), PAWL_SCHEMA);
        EXPECT_CONTAINS(err.message,
                        "schema 7 is newer than this program knows (2): use a newer pawl");
    }
    int from = -1, to = -1;
    EXPECT_INT(pw_store_migrate(S(file("a.db")), &from, &to, &err), PAWL_SCHEMA);
    EXPECT_INT(from, -1);
    EXPECT_TEXT(raw(file("a.db"), "PRAGMA user_version = 0"), "");
    EXPECT_INT(open_store(&store, file("a.db"), PW_STORE_OWN, true, &err), PAWL_CORRUPT);
}

TEST(sqlite, a_migration_is_harmless_when_repeated)
{
    pawl_error err;
    int from = -1, to = -1;
    EXPECT_INT(pw_store_migrate(S(file("a.db")), &from, &to, &err), PAWL_NOT_FOUND);
    write_file(file("a.db"), "", 0);
    EXPECT_OK(pw_store_migrate(S(file("a.db")), &from, &to, &err), err);
    EXPECT_INT(from, 0);
    EXPECT_INT(to, 2);
    EXPECT_OK(pw_store_migrate(S(file("a.db")), &from, &to, &err), err);
    EXPECT_INT(from, 2);
    EXPECT_INT(to, 2);
    EXPECT_INT(raw_number(file("a.db"), "SELECT count(*) FROM migration"), 2);
    EXPECT_OK(pw_store_migrate(S("memory:"), NULL, NULL, &err), err);
}

#ifdef PW_FAULTS
/* Runs this program anew as `what` (see main), dying at the fault point; gives how it ended. */
static int run_to_death(const char *what, const char *name, const char *point)
{
    (void)fflush(stdout);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        (void)setenv("PAWL_FAULT", point, 1);
        (void)execl("/proc/self/exe", "test_store_sqlite", what, name, (char *)NULL);
        _exit(93);
    }
    int status = 0;
    EXPECT_INT(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
#endif

TEST(sqlite, a_crash_while_a_store_is_made_leaves_one_that_opens)
{
#ifndef PW_FAULTS
    pw_test_skip("built without fault points");
#else
    pw_store *store = NULL;
    pawl_error err;
    EXPECT_INT(run_to_death("--make", file("a.db"), "store-in-migration"), 128 + SIGKILL);
    EXPECT(exists(file("a.db")));
    EXPECT_INT(open_store(&store, file("a.db"), PW_STORE_READ, false, &err), PAWL_NOT_FOUND);
    EXPECT_OK(open_store(&store, file("a.db"), PW_STORE_OWN, true, &err), err);
    pw_store_close(store);
    EXPECT_INT(raw_number(file("a.db"), "SELECT count(*) FROM store_info"), 1);
    EXPECT_INT(run_to_death("--make", file("b.db"), "store-after-migration"), 128 + SIGKILL);
    EXPECT_OK(open_store(&store, file("b.db"), PW_STORE_OWN, false, &err), err);
    pw_store_close(store);
#endif
}

TEST(sqlite, a_crash_at_any_point_of_a_commit_leaves_all_of_it_or_nothing)
{
#ifndef PW_FAULTS
    pw_test_skip("built without fault points");
#else
    static const struct {
        const char *point;
        uint64_t token; /* that is found afterwards */
    } cases[] = {
        { "store-before-begin", 1 },  { "store-after-update", 1 }, { "store-after-writes", 1 },
        { "store-before-commit", 1 }, { "store-after-commit", 2 },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "%zu.db", i);
        have_store(file(name));
        EXPECT_INT(run_to_death("--commit", file(name), cases[i].point), 128 + SIGKILL);
        fixture f;
        memset(&f, 0, sizeof f);
        pw_arena_init(&f.arena, 0);
        EXPECT_OK(open_store(&f.store, file(name), PW_STORE_OWN, false, &f.err), f.err);
        EXPECT_INT(get(&f, "i1").token, cases[i].token);
        pw_step_row *steps = NULL;
        pw_bookmark_row *bookmarks = NULL;
        size_t count = 0;
        EXPECT_OK(pw_store_steps(f.store, S("i1"), 1, 10, &steps, &count, &f.arena, &f.err), f.err);
        EXPECT_INT(count, cases[i].token);
        EXPECT_OK(pw_store_bookmarks(f.store, S("i1"), true, &bookmarks, &count, &f.arena, &f.err),
                  f.err);
        EXPECT_INT(count, cases[i].token - 1);
        fixture_done(&f);
    }
#endif
}

/* ---- damage */

TEST(sqlite, a_damaged_store_is_reported_and_never_stops_the_process)
{
    pw_store *store = NULL;
    pawl_error err;
    have_store(file("whole.db"));
    size_t len = 0;
    char *bytes = pw_test_read(file("whole.db"), &len);
    EXPECT(len > 20 * 4096);
    size_t reported = 0;
    for (size_t page = 1; page < len / 4096; page++) { /* one page after the other is overwritten */
        char *broken = malloc(len);
        EXPECT(broken != NULL);
        memcpy(broken, bytes, len);
        memset(broken + page * 4096, 0xa5, 4096);
        write_file(file("broken.db"), broken, len);
        free(broken);
        pw_arena arena;
        pw_arena_init(&arena, 0);
        pawl_code code = open_store(&store, file("broken.db"), PW_STORE_READ, false, &err);
        if (code == PAWL_OK) {
            pw_instance_row row;
            pw_step_row *steps = NULL;
            size_t count = 0;
            code = pw_store_instance_get(store, S("i1"), true, &row, &arena, &err);
            if (code == PAWL_OK)
                code = pw_store_steps(store, S("i1"), 1, 10, &steps, &count, &arena, &err);
        }
        EXPECT(code == PAWL_OK || code == PAWL_CORRUPT || code == PAWL_NOT_FOUND);
        if (code == PAWL_CORRUPT) {
            EXPECT_CONTAINS(err.message, "restore it from a backup");
            reported++;
        }
        pw_store_close(store);
        pw_arena_done(&arena);
    }
    EXPECT(reported >= 4); /* the schema, store_info, the instance and its index, the step */
    write_file(file("short.db"), bytes, 5 * 4096);
    EXPECT_INT(open_store(&store, file("short.db"), PW_STORE_OWN, false, &err), PAWL_CORRUPT);
    EXPECT_CONTAINS(err.message, "the file is damaged");
    write_file(file("header.db"), bytes, 90);
    EXPECT(open_store(&store, file("header.db"), PW_STORE_OWN, false, &err) != PAWL_OK);
    free(bytes);
}

TEST(sqlite, a_row_that_no_program_of_ours_wrote_is_named)
{
    have_store(file("a.db"));
    EXPECT_TEXT(raw(file("a.db"),
                    "PRAGMA ignore_check_constraints = 1; UPDATE instance SET status = 'dreaming'"),
                "");
    pw_store *store = NULL;
    pawl_error err;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_instance_row row;
    EXPECT_OK(open_store(&store, file("a.db"), PW_STORE_OWN, false, &err), err);
    EXPECT_INT(pw_store_instance_get(store, S("i1"), true, &row, &arena, &err), PAWL_CORRUPT);
    EXPECT_CONTAINS(err.message,
                    "table instance, row 'i1': its status is none that this program knows");
    pw_store_close(store);
    EXPECT_TEXT(raw(file("a.db"), "PRAGMA ignore_check_constraints = 1; UPDATE instance SET status "
                                  "= 'waiting', token = -3"),
                "");
    EXPECT_OK(open_store(&store, file("a.db"), PW_STORE_OWN, false, &err), err);
    EXPECT_INT(pw_store_instance_get(store, S("i1"), true, &row, &arena, &err), PAWL_CORRUPT);
    EXPECT_CONTAINS(err.message, "its token is negative");
    pw_store_close(store);
    EXPECT_TEXT(raw(file("a.db"), "DROP TABLE fault"), "");
    EXPECT_INT(open_store(&store, file("a.db"), PW_STORE_OWN, false, &err), PAWL_CORRUPT);
    EXPECT_CONTAINS(err.message, "its tables are not those of schema 2");
    pw_arena_done(&arena);
}

/* ---- a file that may not grow */

static int outgrow_limit(const char *name)
{
    static char large[1 << 20];
    memset(large, 'x', sizeof large);
    fixture f;
    memset(&f, 0, sizeof f);
    pw_arena_init(&f.arena, 0);
    if (open_store(&f.store, name, PW_STORE_OWN, false, &f.err) != PAWL_OK)
        return 89;
    struct rlimit limit = { 300000, 300000 };
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 88;
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "");
    t.state_text = (pw_str){ large, sizeof large };
    pw_commit_item item = item_of("i1", 1, &t, 2000);
    pawl_code code = pw_store_commit(f.store, &item, 1, &f.err);
    if (code != PAWL_IO ||
        !strstr(f.err.message, "the disk is full: free space and run the command again"))
        return 87;
    if (pw_store_reopen(f.store, &f.err) != PAWL_OK || get(&f, "i1").token != 1)
        return 86;
    t.state_text = S("{}"); /* what fits still goes in */
    if (pw_store_commit(f.store, &item, 1, &f.err) != PAWL_OK || item.code != PAWL_OK)
        return 85;
    fixture_done(&f);
    return 0;
}

TEST(sqlite, a_file_that_reached_its_limit_is_a_full_disk)
{
    have_store(file("a.db"));
    EXPECT_INT(in_child(outgrow_limit, file("a.db"), false), 0);
}

/* ---- permission */

static int open_own(const char *name)
{
    pw_store *store = NULL;
    pawl_error err;
    pawl_code code = open_store(&store, name, PW_STORE_OWN, true, &err);
    pw_store_close(store);
    return told(code, &err);
}

static int read_instance(const char *name)
{
    pw_store *store = NULL;
    pawl_error err;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_instance_row row;
    pawl_code code = open_store(&store, name, PW_STORE_READ, false, &err);
    if (code == PAWL_OK)
        code = pw_store_instance_get(store, S("i1"), true, &row, &arena, &err);
    if (code == PAWL_OK && row.token != 1)
        code = (pawl_code)97;
    pw_store_close(store);
    pw_arena_done(&arena);
    return told(code, &err);
}

static const char *said(void)
{
    static char text[600];
    size_t len = 0;
    char *all = pw_test_read(said_path, &len);
    (void)snprintf(text, sizeof text, "%s", all);
    free(all);
    (void)unlink(said_path);
    return text;
}

TEST(sqlite, a_store_that_may_not_be_written_says_so)
{
    (void)unlink(said_path);
    have_store(file("a.db"));
    EXPECT_INT(chmod(file("a.db"), 0444), 0);
    EXPECT_INT(chmod(file("a.db-lock"), 0666), 0);
    EXPECT_INT(chmod(pw_test_dir(), 0777), 0);
    EXPECT_INT(in_child(open_own, file("a.db"), true), PAWL_IO);
    EXPECT_CONTAINS(said(),
                    "cannot be written: allow this user to write the file and its directory");
    EXPECT_INT(unlink(file("a.db-lock")), 0);
    EXPECT_INT(chmod(pw_test_dir(), 0555), 0);
    EXPECT_INT(in_child(open_own, file("a.db"), true), PAWL_IO);
    EXPECT_CONTAINS(said(), "the owner of a store must be able to write its directory");
    EXPECT_INT(in_child(open_own, file("new.db"), true), PAWL_IO);
    EXPECT_CONTAINS(said(), "Permission denied");
}

TEST(sqlite, a_closed_store_is_read_where_nothing_may_be_written)
{
    (void)unlink(said_path);
    have_store(file("a ?#%.db"));
    EXPECT_INT(chmod(file("a ?#%.db"), 0444), 0);
    EXPECT_INT(chmod(pw_test_dir(), 0555), 0);
    EXPECT_INT(in_child(read_instance, file("a ?#%.db"), true), PAWL_OK);
    EXPECT_TEXT(said(), "");
    EXPECT_INT(chmod(file("a ?#%.db"), 0), 0);
    EXPECT_INT(in_child(read_instance, file("a ?#%.db"), true), PAWL_IO);
    EXPECT_CONTAINS(said(), "cannot be read: Permission denied");
}

static int commit_and_die(const char *name)
{
    have_store(name);
    fixture f;
    memset(&f, 0, sizeof f);
    if (open_store(&f.store, name, PW_STORE_OWN, true, &f.err) != PAWL_OK)
        return 96;
    have_instance(&f, "i2", 5000);
    (void)kill(getpid(), SIGKILL);
    return 95;
}

TEST(sqlite, a_store_whose_owner_died_is_not_read_where_nothing_may_be_written)
{
    (void)unlink(said_path);
    EXPECT_INT(in_child(commit_and_die, file("a.db"), false), 128 + SIGKILL);
    EXPECT(exists(file("a.db-wal")));
    EXPECT_INT(unlink(file("a.db-shm")), 0);
    EXPECT_INT(chmod(file("a.db"), 0444), 0);
    EXPECT_INT(chmod(file("a.db-wal"), 0444), 0);
    EXPECT_INT(chmod(pw_test_dir(), 0555), 0);
    EXPECT_INT(in_child(read_instance, file("a.db"), true), PAWL_IO);
    EXPECT_CONTAINS(said(), "was not closed properly, and reading it needs a file beside it");
}

/* ---- the owner */

static int open_busy(const char *name)
{
    pw_store *store = NULL;
    pawl_error err;
    char expected[64];
    (void)snprintf(expected, sizeof expected,
                   "is owned by process %ld: send it commands, or stop it", (long)getppid());
    pawl_code code = open_store(&store, name, PW_STORE_OWN, true, &err);
    return code == PAWL_BUSY && strstr(err.message, expected) ? 0 : 94;
}

TEST(sqlite, a_store_has_one_owner)
{
    fixture f;
    fixture_open(&f, true);
    pw_store *second = NULL;
    EXPECT_INT(open_store(&second, f.uri, PW_STORE_OWN, true, &f.err), PAWL_BUSY);
    EXPECT_CONTAINS(f.err.message, "is open in this process already");
    EXPECT_INT(in_child(open_busy, f.uri, false), 0);
    int from = 0, to = 0;
    EXPECT_INT(pw_store_migrate(S(f.uri), &from, &to, &f.err), PAWL_BUSY);
    EXPECT_INT(symlink("test.db", file("link.db")), 0); /* another name is the same store */
    EXPECT_INT(open_store(&second, file("link.db"), PW_STORE_OWN, true, &f.err), PAWL_BUSY);
    EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err); /* keeps the lock */
    EXPECT_INT(in_child(open_busy, f.uri, false), 0);
    pw_store_close(f.store);
    EXPECT_OK(open_store(&f.store, f.uri, PW_STORE_OWN, true, &f.err), f.err);
    fixture_done(&f);
}

/* SQLite's lock on the 510 bytes behind the first GiB and two: each open store has it. */
static int find_locked(const char *name)
{
    int fd = open(name, O_RDWR | O_CLOEXEC);
    struct flock shared = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000002, .l_len = 510
    };
    if (fd < 0 || fcntl(fd, F_GETLK, &shared) != 0)
        return 95;
    return shared.l_type == F_UNLCK ? 1 : 0;
}

/* A lock of POSIX is lost when its process closes the file, whichever of its openings that is.
 * Without SQLite's own, another program may take the log away while the store writes to it. */
TEST(sqlite, looking_at_a_store_that_is_open_in_this_process_loses_none_of_its_locks)
{
    fixture f;
    fixture_open(&f, true);
    have_definition(&f);
    const char *name = f.uri + strlen("sqlite:");
    EXPECT_INT(in_child(find_locked, name, false), 0);
    pw_store *second = NULL;
    EXPECT_OK(open_store(&second, f.uri, PW_STORE_READ, false, &f.err), f.err);
    EXPECT_INT(in_child(find_locked, name, false), 0);
    pw_store_close(second);
    EXPECT_INT(in_child(find_locked, name, false), 0);
    EXPECT_INT(open_store(&second, f.uri, PW_STORE_OWN, true, &f.err), PAWL_BUSY);
    EXPECT_INT(in_child(find_locked, name, false), 0);
    int from = 0, to = 0;
    EXPECT_INT(pw_store_migrate(S(f.uri), &from, &to, &f.err), PAWL_BUSY);
    EXPECT_INT(in_child(find_locked, name, false), 0);
    pw_store_close(f.store);
    EXPECT_INT(in_child(find_locked, name, false), 1);
    pw_arena_done(&f.arena);
}

TEST(sqlite, an_owner_that_was_killed_leaves_the_store_free_and_whole)
{
    EXPECT_INT(in_child(commit_and_die, file("a.db"), false), 128 + SIGKILL);
    fixture f;
    memset(&f, 0, sizeof f);
    pw_arena_init(&f.arena, 0);
    /* A reader needs no owner, and recovers the log for itself. */
    EXPECT_OK(open_store(&f.store, file("a.db"), PW_STORE_READ, false, &f.err), f.err);
    EXPECT_INT(get(&f, "i2").created_ms, 5000);
    pw_store_close(f.store);
    EXPECT_OK(open_store(&f.store, file("a.db"), PW_STORE_OWN, false, &f.err), f.err);
    EXPECT_INT(get(&f, "i1").token, 1);
    EXPECT_INT(get(&f, "i2").created_ms, 5000);
    fixture_done(&f);
}

TEST(sqlite, a_reader_beside_the_owner_sees_each_commit_and_writes_nothing)
{
    fixture f;
    fixture_open(&f, true);
    have_definition(&f);
    have_instance(&f, "i1", 1000);
    fixture reader = f;
    pw_arena_init(&reader.arena, 0);
    EXPECT_OK(open_store(&reader.store, f.uri, PW_STORE_READ, false, &f.err), f.err);
    EXPECT_INT(get(&reader, "i1").token, 1);
    pw_transition t = transition(PW_RUNNING, 0, "{}");
    step(&f, "i1", 1, &t, 2000);
    EXPECT_INT(get(&reader, "i1").token, 2);
    pw_commit_item item = item_of("i1", 2, &t, 3000);
    EXPECT_INT(pw_store_commit(reader.store, &item, 1, &f.err), PAWL_STATE);
    bool created = false;
    EXPECT_INT(put_definition(&reader, "a", "b", "1.0.0", "d", &created), PAWL_STATE);
    EXPECT_CONTAINS(reader.err.message, "is open for reading only");
    EXPECT_OK(pw_store_reopen(reader.store, &f.err), f.err);
    EXPECT_INT(get(&reader, "i1").token, 2);
    fixture_done(&f); /* the owner goes first */
    EXPECT_INT(get(&reader, "i1").token, 2);
    fixture_done(&reader);
}

/* ---- the schema */

TEST(sqlite, the_schema_refuses_what_would_break_its_meaning)
{
    static const struct {
        const char *sql, *message;
    } cases[] = {
        { "UPDATE step SET entries = '[]'", "the execution log is append-only" },
        { "DELETE FROM step", "the execution log is append-only: it goes with its instance, or when that has ended long ago" },
        { "UPDATE definition SET document = 'x'",
          "a published definition cannot be changed: publish a new version" },
        { "UPDATE definition SET status = 'archived'", "" },
        { "DELETE FROM definition", "FOREIGN KEY constraint failed" },
        { "INSERT INTO step VALUES ('nobody', 1, 'start', 1, 'a', NULL, 0, 0, '[]', NULL)",
          "FOREIGN KEY constraint failed" },
        { "INSERT INTO step VALUES ('i1', 1, 'start', 1, 'a', NULL, 0, 0, '[]', NULL)",
          "UNIQUE constraint failed: step.instance, step.sequence" },
        { "UPDATE instance SET token = 'x'",
          "cannot store TEXT value in INTEGER column instance.token" },
        { "UPDATE instance SET token = 0", "CHECK constraint failed: token >= 1" },
        { "UPDATE instance SET status = 'completed'",
          "CHECK constraint failed: (ended_ms IS NULL) = (status <> 'completed' AND status <> 'faulted' AND "
          "status <> 'cancelled' AND\n                                 status <> 'compensated')" },
        { "UPDATE instance SET partition = 64",
          "CHECK constraint failed: partition BETWEEN 0 AND 63" },
        { "UPDATE instance SET wake_at = -1", "CHECK constraint failed: wake_at >= 0" },
        { "INSERT INTO inbox (target, partition, dedupe_key, kind, created_ms) "
          "VALUES ('i1', 1, '', 'x', 1)",
          "CHECK constraint failed: length(dedupe_key) BETWEEN 1 AND 1024" },
        { "INSERT INTO step VALUES ('i1', 0, 'start', 1, 'a', NULL, 0, 0, '[]', NULL)",
          "CHECK constraint failed: sequence >= 1" },
        { "INSERT INTO bookmark (instance, visit, key, kind, task, created_ms, consumed) VALUES "
          "('i1', 1, 'k', 'timer', '/', 1, 1)",
          "CHECK constraint failed: ended_ms IS NOT NULL OR consumed = 0" },
        { "INSERT INTO external_call (instance, key, visit, attempt, attempts, state, created_ms, "
          "timeout_ms, task, kind, endpoint, method, request) VALUES ('i1', 'k', 1, 1, 1, 'lost', "
          "1, "
          "1, '/', 'http', 'x', 'GET', '{}')",
          "CHECK constraint failed: state = 'pending' OR state = 'completed' OR state = 'failed' OR "
          "state = 'timed-out' OR\n                               state = 'abandoned' OR state = 'unknown'" },
        { "UPDATE instance SET status = 'completed', ended_ms = 5, wake_at = 5",
          "CHECK constraint failed: ended_ms IS NULL OR wake_at IS NULL" },
        { "INSERT INTO store_info SELECT 2, generation, secret, 1 FROM store_info",
          "CHECK constraint failed: one = 1" },
        { "INSERT INTO outbox VALUES ('nobody', 1, 1, 't', 's', 1, '{}')",
          "FOREIGN KEY constraint failed" },
        { "INSERT INTO payload VALUES ('nobody', 'd', '1')", "FOREIGN KEY constraint failed" },
        { "INSERT INTO payload VALUES ('i1', 'd', '1')", "" },
        { "UPDATE payload SET value = '2'",
          "a payload is named by its content and cannot be changed" },
        { "INSERT INTO message VALUES (1, 's', 'e', 't', 'lost', 'a', 1, 2, 3, 0, '{}')",
          "CHECK constraint failed: state = 'new' OR state = 'delivered' OR state = 'kept'" },
        { "INSERT INTO message VALUES (0, 's', 'e', 't', 'new', 'a', 1, 2, 3, 0, '{}')",
          "CHECK constraint failed: number >= 1" },
        { "INSERT INTO message VALUES (1, 's', 'e', 't', 'delivered', 'a', 1, 2, 3, 0, '{}')", "" },
        { "INSERT INTO message VALUES (2, 's', 'e', 't', 'new', 'a', 1, 2, 3, 0, '{}')",
          "UNIQUE constraint failed: message.source, message.id" },
        { "INSERT INTO subscription VALUES ('i1', 1, 0, 'm', 'h')",
          "FOREIGN KEY constraint failed" },
        { "INSERT INTO matcher VALUES ('m', NULL, '[]', 2)",
          "CHECK constraint failed: complete IN (0, 1)" },
        { "INSERT INTO matcher VALUES ('m', NULL, '[]', 0)", "" },
        { "INSERT INTO subscription VALUES ('nobody', 1, 0, 'm', 'h')",
          "FOREIGN KEY constraint failed" },
        { "INSERT INTO subscription VALUES ('i1', 1, 0, 'm', 'h')", "" },
        { "DELETE FROM matcher", "FOREIGN KEY constraint failed" },
        { "INSERT INTO message_key VALUES ('h', 2)", "FOREIGN KEY constraint failed" },
        { "INSERT INTO delivery VALUES ('i1', 1, 1, 64, 1, NULL)",
          "CHECK constraint failed: partition BETWEEN 0 AND 63" },
        { "INSERT INTO delivery VALUES ('i1', 1, 2, 3, 1, NULL)", "FOREIGN KEY constraint failed" },
        { "INSERT INTO delivery VALUES ('i1', 1, 1, 3, 1, NULL)", "" },
        { "DELETE FROM message", "FOREIGN KEY constraint failed" },
        { "UPDATE instance SET schedule = 2", "CHECK constraint failed: schedule IN (0, 1)" },
        { "UPDATE message SET taken = 2", "CHECK constraint failed: taken IN (0, 1)" },
        { "INSERT INTO label VALUES ('nobody', 'n', 'v', 1)", "FOREIGN KEY constraint failed" },
        { "INSERT INTO label VALUES ('i1', '', 'v', 1)",
          "CHECK constraint failed: length(name) BETWEEN 1 AND 256" },
        { "INSERT INTO label VALUES ('i1', 'n', 'v', 1)", "" },
        { "INSERT INTO label VALUES ('i1', 'n', 'w', 1)",
          "UNIQUE constraint failed: label.instance, label.name" },
        { "INSERT INTO bookmark (instance, visit, key, kind, task, created_ms, claimed_until) "
          "VALUES ('i1', 1, 'k', 'user-action', '/', 1, 9)",
          "CHECK constraint failed: claimed_by IS NOT NULL OR claimed_until IS NULL" },
        { "INSERT INTO bookmark_person VALUES ('u:ann', 0, 0, 1, 'i1', 1, 'k')",
          "FOREIGN KEY constraint failed" },
        { "INSERT INTO principal (id, name, digest, roles, created_ms) "
          "VALUES ('t', 'ann', 'd', '[]', 1)",
          "" },
        { "INSERT INTO principal (id, name, digest, roles, created_ms) "
          "VALUES ('u', 'ann', 'd', '[]', 1)",
          "UNIQUE constraint failed: principal.digest" },
        { "INSERT INTO request VALUES ('ann', '', 'd', 1)",
          "CHECK constraint failed: length(key) BETWEEN 1 AND 1024" },
    };
    have_store(file("a.db"));
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        EXPECT_TEXT(raw(file("a.db"), cases[i].sql), cases[i].message);
    EXPECT_TEXT(raw(file("a.db"), "INSERT INTO bookmark (instance, visit, key, kind, task, "
                                  "created_ms) VALUES ('i1', 1, 'k', 'timer', '/', 1)"),
                "");
    EXPECT_TEXT(raw(file("a.db"), "DELETE FROM instance"), ""); /* with all that belongs to it */
    EXPECT_INT(raw_number(file("a.db"),
                          "SELECT (SELECT count(*) FROM step) + (SELECT count(*) FROM bookmark) + "
                          "(SELECT count(*) FROM payload) + (SELECT count(*) FROM subscription) + "
                          "(SELECT count(*) FROM delivery) + (SELECT count(*) FROM label)"),
               0);
    EXPECT_TEXT(raw(file("a.db"), "INSERT INTO message_key VALUES ('h', 1)"), "");
    EXPECT_TEXT(raw(file("a.db"), "DELETE FROM message"), ""); /* with its keys */
    EXPECT_INT(raw_number(file("a.db"), "SELECT count(*) FROM message_key"), 0);
}

/* Whoever wrote it, what is there is neither replaced nor taken for written. */
TEST(sqlite, a_row_that_is_there_already_refuses_the_step_that_brings_it)
{
    static const char *const rows[] = {
        "INSERT INTO step VALUES ('i1', 2, 'drive', 1, 'another', NULL, 0, 0, '[]', NULL)",
        "INSERT INTO fault (instance, step, name, task, visit, kind, class, attempt, decision, "
        "action, error, created_ms) VALUES ('i1', 2, 'order', 'another', 1, 'k', 'c', 1, 'd', 'a', '{}', 1)",
        "INSERT INTO outbox VALUES ('i1', 2, 1, 'another', 's', 1, '{}')",
        "INSERT INTO bookmark (instance, visit, key, kind, task, created_ms) VALUES ('i1', 1, 'k', "
        "'timer', 'another', 1)",
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        const char *name = file(i % 2 ? "a.db" : "b.db");
        have_store(name);
        fixture f;
        memset(&f, 0, sizeof f);
        pw_arena_init(&f.arena, 0);
        EXPECT_OK(open_store(&f.store, name, PW_STORE_OWN, false, &f.err), f.err);
        EXPECT_TEXT(raw(name, rows[i]), "");
        pw_fault fault = { .task = S("/do/0/a"),
                           .visit = 1,
                           .kind = S("activity-fault"),
                           .error = S("{}"),
                           .class_ = S("transient"),
                           .decision = S("fault"),
                           .action = S("look") };
        pw_outbox_event event = { S("i1-2-1"), S("t"), S("/s"), S("{}") };
        pw_bookmark bookmark = {
            .kind = PW_BOOKMARK_USER, .task = S("/do/0/a"), .visit = 1, .key = S("k"), .due_at = -1
        };
        pw_transition t = transition(PW_FAULTED, PW_WAKE_NEVER, "{\"at\":2}");
        t.fault = &fault;
        t.events = &event;
        t.event_count = 1;
        t.bookmarks = &bookmark;
        t.bookmark_count = 1;
        pw_commit_item item = item_of("i1", 1, &t, 2000);
        EXPECT_INT(commit_one(&f, &item), PAWL_INVALID);
        EXPECT_CONTAINS(item.error.message, "UNIQUE constraint failed");
        EXPECT_INT(get(&f, "i1").token, 1);
        EXPECT_STR(get(&f, "i1").state, "{\"at\":1}");
        fixture_done(&f);
        EXPECT_INT(unlink(name), 0);
    }
}

TEST(sqlite, an_instance_is_stored_with_its_partition)
{
    have_store(file("a.db"));
    EXPECT_INT(raw_number(file("a.db"), "SELECT partition FROM instance WHERE id = 'i1'"), 3);
}

TEST(sqlite, every_table_is_strict_and_in_the_log_view_each_entry_is_a_row)
{
    have_store(file("a.db"));
    EXPECT_INT(
        raw_number(
            file("a.db"),
            "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' "
            "AND name NOT LIKE 'sqlite_%' AND NOT strict"),
        0);
    EXPECT_INT(
        raw_number(
            file("a.db"),
            "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' "
            "AND name NOT LIKE 'sqlite_%'"),
        29);
    EXPECT_INT(
        raw_number(file("a.db"),
                   "SELECT count(*) FROM execution_log WHERE instance = 'i1' AND ordinal = 0 "
                   "AND entry ->> 'did' = 'something'"),
        1);
    EXPECT_INT(raw_number(file("a.db"), "PRAGMA application_id"), 0x5041574c);
    EXPECT_INT(raw_number(file("a.db"), "PRAGMA user_version"), 2);
}

/* What a test runs in a process that dies. */
static int commit_one_step(const char *name)
{
    fixture f;
    memset(&f, 0, sizeof f);
    if (open_store(&f.store, name, PW_STORE_OWN, true, &f.err) != PAWL_OK)
        return 92;
    pw_bookmark bookmark = {
        .kind = PW_BOOKMARK_TIMER, .task = S("/do/0/a"), .visit = 1, .key = S("k"), .due_at = 9
    };
    pw_transition t = transition(PW_WAITING, 9, "{}");
    t.bookmarks = &bookmark;
    t.bookmark_count = 1;
    pw_commit_item item = item_of("i1", 1, &t, 2000);
    return pw_store_commit(f.store, &item, 1, &f.err) == PAWL_OK ? 91 : 90;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--make") == 0)
        return open_own(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--commit") == 0)
        return commit_one_step(argv[2]);
    return pw_test_main(argc, argv);
}
