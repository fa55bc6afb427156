/* ideal.c - the ideal step, in the same sizes and batches as the real one.
 *
 * One table of instances, one of steps, no constraint but the keys, no index but theirs, prepared
 * statements, one thread, nothing decided and nothing called. The settings are those of the store.
 * No checkpoint is made while it is measured: nobody could go on like that, but a step cannot be
 * less. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/digest.h"
#include "ideal.h"

typedef struct ideal {
    sqlite3 *db;
    sqlite3_stmt *create, *update, *insert, *begin, *commit;
    char *state, *entries;
    cost done;
} ideal;

static void sql(ideal *i, const char *text)
{
    if (sqlite3_exec(i->db, text, NULL, NULL, NULL) != SQLITE_OK)
        die("%s: %s", text, sqlite3_errmsg(i->db));
}

static sqlite3_stmt *prepare(ideal *i, const char *text)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(i->db, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
        SQLITE_OK)
        die("%s: %s", text, sqlite3_errmsg(i->db));
    return statement;
}

static void run(ideal *i, sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    if (rc != SQLITE_DONE || sqlite3_reset(statement) != SQLITE_OK)
        die("the ideal step: %s", sqlite3_errmsg(i->db));
    i->done.statements++;
}

static void begin(ideal *i)
{
    run(i, i->begin);
}

static void commit(ideal *i)
{
    run(i, i->commit);
    i->done.commits++;
}

/* Ids spread over the keys, as real ones do. */
static void id_of(char out[27], unsigned instance)
{
    (void)snprintf(out, 27, "%016llx%010u",
                   (unsigned long long)pw_hash64(1, &instance, sizeof instance), instance);
}

static void step(ideal *i, const ideal_options *o, unsigned instance, unsigned sequence)
{
    char id[27];
    id_of(id, instance);
    sqlite3_stmt *first = sequence == 1 ? i->create : i->update;
    (void)sqlite3_bind_text(first, 1, id, 26, SQLITE_STATIC);
    (void)sqlite3_bind_int64(first, 2, sequence);
    (void)sqlite3_bind_text(first, 3, i->state, (int)o->state_bytes, SQLITE_STATIC);
    run(i, first);
    (void)sqlite3_bind_text(i->insert, 1, id, 26, SQLITE_STATIC);
    (void)sqlite3_bind_int64(i->insert, 2, sequence);
    (void)sqlite3_bind_int64(i->insert, 3, 1790000000000 + sequence);
    (void)sqlite3_bind_text(i->insert, 4, i->entries, (int)o->entries_bytes, SQLITE_STATIC);
    run(i, i->insert);
    i->done.rows += 2;
    i->done.steps++;
}

static void open_ideal(ideal *i, const ideal_options *o)
{
    if (sqlite3_open_v2(o->path, &i->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        die("%s: %s", o->path, i->db ? sqlite3_errmsg(i->db) : "out of memory");
    sql(i, "PRAGMA journal_mode = WAL");
    sql(i, "PRAGMA synchronous = FULL");
    sql(i, "PRAGMA wal_autocheckpoint = 0");
    sql(i, "PRAGMA cache_size = -16384");
    sql(i, "CREATE TABLE instance (id TEXT NOT NULL PRIMARY KEY, token INTEGER, state TEXT)");
    sql(i, "CREATE TABLE step (instance TEXT, sequence INTEGER, at_ms INTEGER, entries TEXT, "
           "PRIMARY KEY (instance, sequence)) WITHOUT ROWID");
    i->create = prepare(i, "INSERT INTO instance (id, token, state) VALUES (?1, ?2, ?3)");
    i->update = prepare(i, "UPDATE instance SET token = ?2, state = ?3 "
                           "WHERE id = ?1 AND token = ?2 - 1");
    i->insert = prepare(i, "INSERT INTO step VALUES (?1, ?2, ?3, ?4)");
    i->begin = prepare(i, "BEGIN IMMEDIATE");
    i->commit = prepare(i, "COMMIT");
    i->state = must(malloc(o->state_bytes + 1));
    i->entries = must(malloc(o->entries_bytes + 1));
    memset(i->state, 's', o->state_bytes);
    memset(i->entries, 'e', o->entries_bytes);
}

static void close_ideal(ideal *i)
{
    sqlite3_stmt *statements[] = { i->create, i->update, i->insert, i->begin, i->commit };
    for (size_t n = 0; n < PW_LENGTH(statements); n++)
        (void)sqlite3_finalize(statements[n]);
    (void)sqlite3_close(i->db);
    free(i->state);
    free(i->entries);
}

cost ideal_measure(const ideal_options *o)
{
    ideal i = { 0 };
    open_ideal(&i, o);
    cost before = measure_now(NULL);
    measure_mark_begin();
    unsigned in_batch = 0;
    for (unsigned first = 0; first < o->instances; first += o->in_flight)
        for (unsigned sequence = 1; sequence <= o->steps; sequence++)
            for (unsigned n = first; n < o->instances && n < first + o->in_flight; n++) {
                if (in_batch == 0)
                    begin(&i);
                step(&i, o, n, sequence);
                if (++in_batch < o->batch)
                    continue;
                commit(&i);
                in_batch = 0;
            }
    if (in_batch)
        commit(&i);
    measure_mark_end("ideal");
    cost c = measure_since(&before, NULL);
    c.steps = i.done.steps;
    c.statements = i.done.statements;
    c.rows = i.done.rows;
    c.commits = i.done.commits;
    close_ideal(&i);
    return c;
}
