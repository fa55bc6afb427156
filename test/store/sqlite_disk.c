/* sqlite_disk.c - a disk that fills up or fails, memory that runs out inside SQLite, many threads,
 * and what each statement costs. What a disk does to messages is in sqlite_messages.c. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "failing_disk.h"
#include "fixture.h"
#include "sqlite_sql.h"

static pawl_code try_step(fixture *f, const char *id, uint64_t token)
{
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{\"next\":1}");
    pw_commit_item item = item_of(id, token, &t, 2000);
    return pw_store_commit(f->store, &item, 1, &f->err);
}

static fixture f; /* of the running test */

static void begin(void)
{
    disk_is_well();
    fixture_open(&f, true);
    have_definition(&f);
    have_instance(&f, "i1", 1000);
}

/* ---- the disk */

TEST(disk, a_failed_sync_makes_the_outcome_unknown_until_the_store_is_opened_again)
{
    begin();
    atomic_store(&disk.sync_in, 1);
    EXPECT_INT(try_step(&f, "i1", 1), PAWL_IO);
    EXPECT_CONTAINS(f.err.message, "the disk failed");
    disk_is_well();
    EXPECT_INT(try_step(&f, "i1", 1), PAWL_IO); /* never retried on the same files */
    EXPECT_CONTAINS(f.err.message, "the disk failed before: the store must be opened again");
    bool created = false;
    EXPECT_INT(put_definition(&f, "a", "b", "1.0.0", "d", &created), PAWL_IO);
    EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err);
    uint64_t token =
        get(&f, "i1").token; /* either is right; it must be one of them, with its step */
    EXPECT(token == 1 || token == 2);
    pw_step_row *steps = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_steps(f.store, S("i1"), 1, 10, &steps, &count, &f.arena, &f.err), f.err);
    EXPECT_INT(count, token);
    EXPECT_INT(try_step(&f, "i1", token), PAWL_OK);
    restart(&f);
    EXPECT_INT(get(&f, "i1").token, token + 1);
    fixture_done(&f);
}

/* What the log holds may be in memory only, and a checkpoint would build upon it. */
TEST(disk, opening_again_after_a_failed_sync_moves_nothing_into_the_file)
{
    begin();
    atomic_store(&disk.sync_in, 1);
    EXPECT_INT(try_step(&f, "i1", 1), PAWL_IO);
    disk_is_well();
    atomic_store(&disk.log_bytes, 0);
    atomic_store(&disk.file_writes, 0);
    EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err);
    EXPECT_INT(atomic_load(&disk.file_writes), 0);
    EXPECT(atomic_load(&disk.log_bytes) > 0); /* it is written again, and synced */
    fixture_done(&f);
}

/* What it moved may not be on the disk, and no later sync would say so. */
TEST(disk, a_checkpoint_whose_sync_failed_is_built_upon_by_nobody)
{
    enum { ENOUGH = 100000 }; /* commits; the log is full after 170, and the checkpoint is near */
    begin();
    static char state[200000];
    memset(state, 's', sizeof state);
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "");
    t.state_text = (pw_str){ state, sizeof state };
    atomic_store(&disk.file_sync_in, 1);
    uint64_t token = 1;
    pawl_code code = PAWL_OK;
    while (code == PAWL_OK && token < ENOUGH) {
        pw_commit_item item = item_of("i1", token, &t, 2000);
        code = pw_store_commit(f.store, &item, 1, &f.err);
        token += code == PAWL_OK;
    }
    EXPECT_INT(code, PAWL_IO);
    EXPECT_CONTAINS(f.err.message, "the disk failed before: the store must be opened again");
    disk_is_well();
    atomic_store(&disk.file_writes, 0);
    atomic_store(&disk.log_bytes, 0);
    EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err);
    EXPECT_INT(atomic_load(&disk.file_writes), 0); /* the log stays, whole */
    EXPECT(atomic_load(&disk.log_bytes) > sizeof state);
    EXPECT_INT(get(&f, "i1").token, token);
    EXPECT_INT(try_step(&f, "i1", token), PAWL_OK);
    fixture_done(&f);
}

TEST(disk, a_log_that_was_left_is_written_again_to_its_end)
{
    begin();
    static char state[300000];
    memset(state, 's', sizeof state);
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "");
    t.state_text = (pw_str){ state, sizeof state };
    step(&f, "i1", 1, &t, 2000);
    sqlite3 *other = NULL; /* it reads, so the log stays when the store is closed */
    EXPECT_INT(sqlite3_open(pw_store_path(f.store).ptr, &other), SQLITE_OK);
    EXPECT_INT(sqlite3_exec(other, "BEGIN; SELECT count(*) FROM step", NULL, NULL, NULL),
               SQLITE_OK);
    pw_transition next = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    step(&f, "i1", 2, &next, 3000);
    pw_store_close(f.store);
    atomic_store(&disk.log_bytes, 0);
    pw_store_options options = { S(f.uri), PW_STORE_OWN, false };
    EXPECT_OK(pw_store_open(&f.store, &options, &f.err), f.err);
    EXPECT(atomic_load(&disk.log_bytes) > sizeof state);
    EXPECT_INT(sqlite3_close(other), SQLITE_OK);
    EXPECT_INT(get(&f, "i1").token, 3);
    fixture_done(&f);
}

TEST(disk, a_failed_read_in_a_step_is_not_tried_again_on_the_same_files)
{
    begin();
    restart(&f); /* nothing of the instance is in the writer's cache */
    atomic_store(&disk.read_in, 1);
    EXPECT_INT(try_step(&f, "i1", 1), PAWL_IO);
    disk_is_well();
    EXPECT_INT(try_step(&f, "i1", 1), PAWL_IO);
    EXPECT_CONTAINS(f.err.message, "the disk failed before: the store must be opened again");
    EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err);
    EXPECT_INT(get(&f, "i1").token, 1);
    EXPECT_INT(try_step(&f, "i1", 1), PAWL_OK);
    fixture_done(&f);
}

TEST(disk, memory_that_runs_out_in_the_commit_itself_makes_the_outcome_unknown)
{
    begin();
    atomic_store(&disk.write_code, SQLITE_NOMEM);
    atomic_store(&disk.write_in, 1);
    EXPECT_INT(try_step(&f, "i1", 1), PAWL_IO);
    EXPECT_CONTAINS(f.err.message, "out of memory in a commit: whether it is on the disk is known "
                                   "when the store is opened again");
    disk_is_well();
    EXPECT_INT(try_step(&f, "i1", 1), PAWL_IO);
    EXPECT_CONTAINS(f.err.message, "the disk failed before: the store must be opened again");
    EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err);
    EXPECT_INT(try_step(&f, "i1", get(&f, "i1").token), PAWL_OK);
    fixture_done(&f);
}

TEST(disk, a_full_disk_at_any_write_of_a_commit_commits_nothing)
{
    begin();
    bool committed = false;
    int failures = 0;
    for (int n = 1; n < 50 && !committed; n++) {
        atomic_store(&disk.write_code, SQLITE_FULL);
        atomic_store(&disk.write_in, n);
        pawl_code code = try_step(&f, "i1", 1);
        disk_is_well();
        if (code == PAWL_OK) {
            committed = true;
            break;
        }
        failures++;
        EXPECT_INT(code, PAWL_IO);
        EXPECT_CONTAINS(
            f.err.message,
            "test.db': commit: the disk is full: free space and run the command again; nothing "
            "was committed");
        EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err);
        EXPECT_INT(get(&f, "i1").token, 1);
    }
    EXPECT(committed);
    EXPECT(failures >= 3);
    EXPECT_INT(get(&f, "i1").token, 2);
    fixture_done(&f);
}

TEST(disk, a_store_cannot_be_made_on_a_full_or_failing_disk_and_later_can)
{
    static const int codes[] = { SQLITE_FULL, SQLITE_IOERR_WRITE };
    char name[600];
    pw_store *store = NULL;
    pawl_error err;
    for (size_t i = 0; i < PW_LENGTH(codes); i++) {
        bool made = false;
        for (int n = 1; n < 400 && !made; n += n < 20 ? 1 : 17) {
            (void)snprintf(name, sizeof name, "%s/%zu-%d.db", pw_test_dir(), i, n);
            pw_store_options options = { S(name), PW_STORE_OWN, true };
            atomic_store(&disk.write_code, codes[i]);
            atomic_store(&disk.write_in, n);
            pawl_code code = pw_store_open(&store, &options, &err);
            disk_is_well();
            made = code == PAWL_OK;
            if (!made) {
                EXPECT_INT(code, PAWL_IO);
                EXPECT_CONTAINS(err.message,
                                codes[i] == SQLITE_FULL ? "the disk is full" : "the disk failed");
                EXPECT_OK(pw_store_open(&store, &options, &err), err);
            }
            pw_store_close(store);
        }
        EXPECT(made);
    }
}

TEST(disk, a_failed_reopen_can_be_repeated)
{
    begin();
    atomic_store(&disk.sync_in, 1);
    EXPECT_INT(try_step(&f, "i1", 1), PAWL_IO);
    EXPECT_INT(pw_store_reopen(f.store, &f.err), PAWL_IO); /* its sync fails still */
    EXPECT_INT(try_step(&f, "i1", 1), PAWL_IO);
    disk_is_well();
    EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err);
    EXPECT(get(&f, "i1").token >= 1);
    fixture_done(&f);
}

TEST(disk, a_commit_is_one_sync)
{
    begin();
    EXPECT_INT(try_step(&f, "i1", 1), PAWL_OK); /* the log has begun */
    unsigned before = atomic_load(&disk.syncs);
    uint64_t counted = counts(&f).syncs;
    EXPECT_INT(try_step(&f, "i1", 2), PAWL_OK);
    EXPECT_INT(try_step(&f, "i1", 3), PAWL_OK);
    EXPECT_INT(atomic_load(&disk.syncs) - before, 2);
    EXPECT_INT(counts(&f).syncs - counted, 2);
    fixture_done(&f);
}

/* The log's header counts how often it began anew (bytes 12 to 15). */
static uint32_t log_began(void)
{
    char name[600];
    uint8_t header[16] = { 0 };
    (void)snprintf(name, sizeof name, "%s-wal", f.uri + strlen("sqlite:"));
    FILE *in = fopen(name, "rbe");
    EXPECT(in != NULL);
    EXPECT_INT(fread(header, 1, sizeof header, in), sizeof header);
    (void)fclose(in);
    return (uint32_t)header[12] << 24 | (uint32_t)header[13] << 16 | (uint32_t)header[14] << 8 |
           header[15];
}

TEST(disk, under_steady_commits_the_log_begins_anew_and_does_not_grow_for_ever)
{
    begin();
    static char large[400000];
    memset(large, 's', sizeof large);
    uint32_t first = log_began();
    uint64_t token = 1;
    while (log_began() == first && token < 5000) { /* 32 MiB is some 80 of them */
        pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "");
        t.state_text = (pw_str){ large, sizeof large };
        step(&f, "i1", token++, &t, 2000);
    }
    EXPECT(log_began() > first);
    EXPECT_INT(get(&f, "i1").token, token);
    fixture_done(&f);
}

/* ---- SQLite's memory */

TEST(disk, memory_that_runs_out_inside_sqlite_is_reported)
{
    let_memory_fail();
    begin();
    pw_store_options options = { S(f.uri), PW_STORE_OWN, true };
    unsigned failures = 0;
    bool opened = false;
    pw_store_close(f.store);
    for (int n = 1; n < 100000 && !opened; n += n < 100 ? 1 : n / 30) {
        atomic_store(&memory_in, n);
        pawl_code code = pw_store_open(&f.store, &options, &f.err);
        atomic_store(&memory_in, 0);
        opened = code == PAWL_OK;
        failures += opened ? 0 : 1;
        if (!opened && code != PAWL_NO_MEMORY)
            fail_msg("at allocation %d: %s", n, f.err.message);
    }
    EXPECT(opened);
    EXPECT(failures > 50);
    uint64_t token = 1;
    failures = 0;
    for (int n = 1; n < 2000; n++) {
        atomic_store(&memory_in, n);
        pawl_code code = try_step(&f, "i1", token);
        atomic_store(&memory_in, 0);
        if (code == PAWL_OK)
            break;
        failures++;
        EXPECT(code == PAWL_NO_MEMORY || code == PAWL_IO); /* IO: in the COMMIT itself */
        EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err);
        token = get(&f, "i1").token;
    }
    EXPECT(failures > 0);
    fixture_done(&f);
}

/* ---- threads */

enum { READERS = 12, STEPS = 150 };

static _Atomic bool stop_reading;

static void *read_all_the_time(void *context)
{
    fixture *shared = context;
    uintptr_t problems = 0;
    uint64_t last = 0;
    while (!atomic_load(&stop_reading)) {
        pw_arena arena;
        pw_arena_init(&arena, 0);
        pw_instance_row row;
        pawl_error err;
        pawl_code code = pw_store_instance_get(shared->store, S("i1"), true, &row, &arena, &err);
        if (code != PAWL_OK || row.token < last)
            problems++;
        last = row.token;
        pw_arena_done(&arena);
    }
    return (void *)problems;
}

/* Another program's write: it ends when it is seen that somebody waits for it. */
static void *end_when_waited_for(void *other)
{
    while (atomic_load(&disk.refused) == 0)
        (void)sched_yield();
    return (void *)(intptr_t)sqlite3_exec(other, "COMMIT", NULL, NULL, NULL);
}

static void begin_elsewhere(sqlite3 *other, pthread_t *thread)
{
    EXPECT_INT(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    atomic_store(&disk.refused, 0);
    EXPECT_INT(pthread_create(thread, NULL, end_when_waited_for, other), 0);
}

static void joined(pthread_t thread)
{
    void *result = NULL;
    EXPECT_INT(pthread_join(thread, &result), 0);
    EXPECT_INT((intptr_t)result, SQLITE_OK);
}

TEST(disk, another_program_that_writes_is_waited_for_when_opening_and_when_committing)
{
    begin();
    sqlite3 *other = NULL;
    pthread_t thread;
    EXPECT_INT(sqlite3_open(pw_store_path(f.store).ptr, &other), SQLITE_OK);
    begin_elsewhere(other, &thread);
    EXPECT_INT(try_step(&f, "i1", 1), PAWL_OK);
    joined(thread);
    pw_store_close(f.store); /* the log stays: the other has the file open */
    begin_elsewhere(other, &thread);
    pw_store_options options = { S(f.uri), PW_STORE_OWN, false };
    EXPECT_OK(pw_store_open(&f.store, &options, &f.err), f.err);
    joined(thread);
    EXPECT_INT(get(&f, "i1").token, 2);
    EXPECT_INT(sqlite3_close(other), SQLITE_OK);
    fixture_done(&f);
}

TEST(disk, many_readers_see_each_step_in_order_while_the_writer_commits_and_reopens)
{
    begin();
    static char large[200000]; /* so that checkpoints run meanwhile */
    memset(large, 's', sizeof large);
    pthread_t threads[READERS];
    atomic_store(&stop_reading, false);
    for (size_t i = 0; i < READERS; i++)
        EXPECT_INT(pthread_create(&threads[i], NULL, read_all_the_time, &f), 0);
    for (uint64_t token = 1; token <= STEPS; token++) {
        pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "");
        t.state_text = (pw_str){ large, sizeof large };
        step(&f, "i1", token, &t, 2000);
        if (token % 50 == 0)
            EXPECT_OK(pw_store_reopen(f.store, &f.err), f.err);
    }
    atomic_store(&stop_reading, true);
    for (size_t i = 0; i < READERS; i++) {
        void *problems = NULL;
        EXPECT_INT(pthread_join(threads[i], &problems), 0);
        EXPECT(problems == NULL);
    }
    EXPECT_INT(get(&f, "i1").token, STEPS + 1);
    fixture_done(&f);
}

/* ---- costs */

TEST(disk, a_checkpoint_waits_for_a_thousand_new_pages)
{
    enum { COMMITS = 400 };
    begin();
    static char state[3000]; /* six to nine pages of the log for each commit: below 4,000 in all */
    memset(state, 's', sizeof state);
    uint64_t before = atomic_load(&disk.syncs);
    for (int i = 0; i < COMMITS; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "n%d", i * 7919 % COMMITS);
        pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "");
        t.state_text = (pw_str){ state, sizeof state };
        step(&f, id, 0, &t, 2000);
    }
    uint64_t syncs = atomic_load(&disk.syncs) - before;
    EXPECT(syncs >= COMMITS);
    /* A checkpoint syncs the log, too; and where it was quick, the next commit begins the log anew,
     * and syncs its header. */
    EXPECT(syncs <= COMMITS + 2 * 4);
    fixture_done(&f);
}

TEST(disk, a_simple_step_is_four_statements)
{
    begin();
    pw_store_counts before = counts(&f);
    EXPECT_INT(try_step(&f, "i1", 1), PAWL_OK); /* begin, update, insert, commit */
    pw_store_counts after = counts(&f);
    EXPECT_INT(after.statements - before.statements, 4);
    EXPECT_INT(after.rows - before.rows, 2);
    pw_transition t = transition(PW_RUNNING, 0, "{}"); /* status and wake_at change: one more try */
    step(&f, "i1", 2, &t, 3000);
    EXPECT_INT(counts(&f).statements - after.statements, 5);
    EXPECT_INT(counts(&f).rows - after.rows, 2);
    fixture_done(&f);
}

TEST(disk, a_poison_item_costs_one_more_pass)
{
    begin();
    pw_bookmark twice[2] = {
        { .kind = PW_BOOKMARK_USER, .task = S("/"), .visit = 1, .key = S("k"), .due_at = -1 },
        { .kind = PW_BOOKMARK_USER, .task = S("/"), .visit = 1, .key = S("k"), .due_at = -1 }
    };
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.bookmarks = twice;
    t.bookmark_count = 2;
    pw_commit_item item = item_of("i1", 1, &t, 2000);
    EXPECT_INT(commit_one(&f, &item), PAWL_INVALID);
    EXPECT_INT(counts(&f).bisections, 1);
    EXPECT_CONTAINS(item.error.message, "instance 'i1': '");
    EXPECT_CONTAINS(item.error.message,
                    "UNIQUE constraint failed: bookmark.instance, bookmark.visit, bookmark.key");
    fixture_done(&f);
}

/* What is pending and what is dead is counted along the index of each, and summed up by sink. */
static bool counts_by_sink(size_t sql, const char *plan)
{
    return sql == PW_SQLITE_SQL_PUBLISH_COUNT &&
           (strcmp(plan, "SCAN outbox_delivery USING COVERING INDEX outbox_pending") == 0 ||
            strcmp(plan, "SCAN outbox_delivery USING INDEX outbox_dead") == 0 ||
            strcmp(plan, "USE TEMP B-TREE FOR GROUP BY") == 0 ||
            strcmp(plan, "COMPOUND QUERY") == 0 || strcmp(plan, "LEFT-MOST SUBQUERY") == 0 ||
            strcmp(plan, "UNION ALL") == 0 || strstr(plan, "(subquery"));
}

/* A count costs what it counts; that of all reads an index, which has what it needs. */
static bool counts_what_it_reads(size_t sql, const char *plan)
{
    if (sql == PW_SQLITE_SQL_INSTANCE_COUNT)
        return strcmp(plan, "SCAN i USING COVERING INDEX instance_status") == 0;
    if (sql == PW_SQLITE_SQL_INSTANCE_COUNT_SCHEDULES &&
        strcmp(plan, "SCAN i USING INDEX instance_schedule") == 0)
        return true;
    return strncmp(pw_sqlite_sql_name[sql], "instance_count_", 15) == 0 &&
           (strcmp(plan, "USE TEMP B-TREE FOR GROUP BY") == 0 ||
            strcmp(plan, "COMPOUND QUERY") == 0 || strcmp(plan, "LEFT-MOST SUBQUERY") == 0 ||
            strcmp(plan, "UNION ALL") == 0);
}

/* Of backup.sql: each is run once for a copy, a restore or a check, which read all of the file anyway; and one row for each
 * time that the store was restored. */
static bool reads_a_whole_copy(const char *name)
{
    return strncmp(name, "copy_", 5) == 0 || strncmp(name, "check_", 6) == 0 || strncmp(name, "restore_", 8) == 0 ||
           strcmp(name, "past_generations") == 0;
}

/* The plan of every statement is a search by an index; what may scan is listed, with the reason. */
TEST(disk, every_statement_finds_its_rows_by_an_index)
{
    begin();
    fixture_done(&f);
    sqlite3 *db = NULL;
    EXPECT_INT(sqlite3_open(f.uri + strlen("sqlite:"), &db), SQLITE_OK);
    size_t looked_at = 0;
    for (size_t i = 0; i < PW_SQLITE_SQL_COUNT; i++) {
        char sql[8192];
        (void)snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", pw_sqlite_sql_text[i]);
        if (strncmp(pw_sqlite_sql_text[i], "SELECT", 6) != 0 &&
            strncmp(pw_sqlite_sql_text[i], "UPDATE", 6) != 0 &&
            strncmp(pw_sqlite_sql_text[i], "INSERT", 6) != 0 &&
            strncmp(pw_sqlite_sql_text[i], "DELETE", 6) != 0)
            continue;
        sqlite3_stmt *statement = NULL;
        EXPECT_INT(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
        while (sqlite3_step(statement) == SQLITE_ROW) {
            const char *plan = (const char *)sqlite3_column_text(statement, 3);
            bool allowed =
                strncmp(plan, "SEARCH ", 7) == 0 || i == PW_SQLITE_SQL_INFO_GET || /* one row */
                i == PW_SQLITE_SQL_PARTITION_LIST ||   /* 64, once for each owner */
                i == PW_SQLITE_SQL_NODE_DROP_OTHERS || /* few */
                reads_a_whole_copy(pw_sqlite_sql_name[i]) ||
                strcmp(plan, "SCAN CONSTANT ROW") == 0 ||
                strstr(plan, "SCALAR SUBQUERY") ||        /* its own plan follows */
                strncmp(plan, "SCAN matcher", 12) == 0 || /* grows with definitions only */
                strstr(plan, " VIRTUAL TABLE INDEX ") ||  /* JSON that was bound */
                strncmp(plan, "LIST SUBQUERY", 13) == 0 || strcmp(plan, "LEFT") == 0 ||
                strcmp(plan, "RIGHT") == 0 || strcmp(plan, "MERGE (UNION ALL)") == 0 ||
                counts_what_it_reads(i, plan) || counts_by_sink(i, plan) ||
                strcmp(plan, "SCAN principal USING INDEX principal_name") == 0 || /* all of them */
                strcmp(plan, "SCAN breaker") == 0 ||   /* the same; few */
                (i == PW_SQLITE_SQL_DEFINITION_LIST && /* counts the living, who have an index */
                 !strstr(plan, "SCAN instance")) ||
                strcmp(plan, "SCAN inbox USING INDEX inbox_pending") ==
                    0 ||                            /* in its order, to the limit */
                (i == PW_SQLITE_SQL_INSTANCE_GET && /* the branches of one, in the order of their
                                                       key */
                 (strncmp(plan, "SCALAR SUBQUERY", 15) == 0 || strstr(plan, "subquery"))) ||
                ((i == PW_SQLITE_SQL_CALLS || i == PW_SQLITE_SQL_OPEN_INSTANCE) &&
                 strcmp(plan, "USE TEMP B-TREE FOR ORDER BY") == 0) || /* of one instance */
                (i == PW_SQLITE_SQL_DEFINITION_LIST && /* counts of the living, for the page */
                 (strcmp(plan, "MATERIALIZE l") == 0 ||
                  strcmp(plan, "USE TEMP B-TREE FOR GROUP BY") == 0));
            if (!allowed)
                fail_msg("%s: %s", pw_sqlite_sql_name[i], plan);
            looked_at++;
        }
        EXPECT_INT(sqlite3_finalize(statement), SQLITE_OK);
    }
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    EXPECT(looked_at >= 25);
}

/* Recovery and the timer window must not read the instances that sleep or have ended. */
TEST(disk, due_instances_are_found_in_their_own_index)
{
    begin();
    fixture_done(&f);
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    char sql[1024];
    (void)snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", pw_sqlite_sql_text[PW_SQLITE_SQL_DUE]);
    EXPECT_INT(sqlite3_open(f.uri + strlen("sqlite:"), &db), SQLITE_OK);
    EXPECT_INT(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    EXPECT_INT(sqlite3_step(statement), SQLITE_ROW);
    EXPECT_TEXT(
        (const char *)sqlite3_column_text(statement, 3),
        "SEARCH instance USING COVERING INDEX instance_wake ((wake_at,id)>(?,?) AND wake_at<?)");
    EXPECT_INT(sqlite3_step(statement), SQLITE_DONE); /* and no sorting */
    EXPECT_INT(sqlite3_finalize(statement), SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
}

TEST_MAIN()
