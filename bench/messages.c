/* messages.c - what a message costs, and whether it stays the same whoever waits for others.
 *
 *     bench/messages --dir DIR [--waiting 10,10000,1000000] [--count 2000]
 *
 *     flat   so many instances wait for other messages of the same type (cloned by SQL from one that
 *            was started); messages are published one by one: kept, as nobody wants them
 *     way    `count` messages from their publication to the step that takes them: by a listen that
 *            stays open, by two listens in turn, and by as many instances, one each */
#include <getopt.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/engine.h"
#include "load.h"

enum { FLAT = 200, WARM = 50, BATCH = 100, DRAIN_MS = 600000 };

static const char waits[] =
    "document: { dsl: 1.0.3, namespace: bench, name: waits, version: 1.0.0 }\n"
    "do:\n"
    "  - hear: { listen: { to: { one: { with: { type: m, subject: '${ $input.id }' } } } } }\n";
static const char open_[] =
    "document: { dsl: 1.0.3, namespace: bench, name: open, version: 1.0.0 }\n"
    "do:\n"
    "  - hear: { listen: { to: { any: [ { with: { type: m } } ], until: '${ length >= $input.n }' } } }\n";
static const char turns[] =
    "document: { dsl: 1.0.3, namespace: bench, name: turns, version: 1.0.0 }\n"
    "do:\n"
    "  - left: { listen: { to: { one: { with: { type: m } } } }, output: { as: '${ {n: ($input.n - 1)} }' } }\n"
    "  - right: { listen: { to: { one: { with: { type: m } } } }, output: { as: '${ {n: ($input.n - 1)} }' } }\n"
    "  - more: { switch: [ { again: { when: .n > 0, then: left } }, { no: { then: continue } } ] }\n";

/* ------------------------------------------------------------------ sending */

static unsigned sent;

static void put_message(pw_buf *out, unsigned subject)
{
    sent++;
    pw_buf_printf(out,
                  "{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"/bench\",\"type\":\"m\","
                  "\"subject\":\"s%u\",\"data\":{\"amount\":19.90,\"article\":\"no-%u\"}}",
                  sent, subject, sent);
}

static void publish(load *l, unsigned count, unsigned first_subject)
{
    pawl_error err;
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (unsigned i = 0; i < count; i++) {
        pw_buf_text(&buf, i ? "," : "[");
        put_message(&buf, first_subject + i);
    }
    pw_buf_text(&buf, "]");
    char *text = must(pw_buf_take(&buf));
    check(pawl_publish(l->pawl, text, NULL, NULL, &err), &err);
    pw_free(text);
}

static char *start(load *l, const char *name, const char *input)
{
    pawl_error err;
    char *id = NULL;
    const pawl_start_options options = { .struct_size = sizeof options, .name = name, .input = input };
    check(pawl_start(l->pawl, &options, &id, NULL, &err), &err);
    return id;
}

static void drain(load *l)
{
    pawl_error err;
    check(pawl_drain(l->pawl, DRAIN_MS, &err), &err);
}

/* ------------------------------------------------------------------ many who wait */

static void run_sql(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        die("messages: %s: %s", message ? message : "?", sql);
}

/* Copies every row of the first instance in `table` for each number, with what differs replaced. */
static void copy_rows(sqlite3 *db, const char *table, unsigned count)
{
    char columns[4096] = "", *sql = NULL;
    sqlite3_stmt *statement = NULL;
    const char *ask = "SELECT group_concat(CASE name WHEN 'id' THEN 'n.id' WHEN 'instance' THEN 'n.id' "
                      "WHEN 'partition' THEN 'n.value % 64' WHEN 'hash' THEN 'n.hash' ELSE 't.' || name "
                      "END) FROM pragma_table_info(?1)";
    if (sqlite3_prepare_v2(db, ask, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        die("messages: no columns of %s", table);
    (void)snprintf(columns, sizeof columns, "%s", sqlite3_column_text(statement, 0));
    (void)sqlite3_finalize(statement);
    sql = sqlite3_mprintf("INSERT INTO %s SELECT %s FROM (WITH RECURSIVE c(value) AS (SELECT 1 UNION "
                          "ALL SELECT value + 1 FROM c WHERE value < %u) SELECT value, "
                          "lower(hex(randomblob(13))) AS id, lower(hex(randomblob(32))) AS hash FROM c) "
                          "AS n, %s AS t",
                          table, columns, count, table);
    if (strcmp(table, "instance") != 0) { /* of the instances that are there now */
        sqlite3_free(sql);
        sql = sqlite3_mprintf(
            "INSERT INTO %s SELECT %s FROM (SELECT rowid AS value, id, lower(hex(randomblob(32))) AS "
            "hash, row_number() OVER (ORDER BY created_ms, id) AS at FROM instance WHERE id NOT IN "
            "(SELECT instance FROM %s)) AS n, (SELECT * FROM %s LIMIT 1) AS t",
            table, columns, table, table);
    }
    run_sql(db, sql);
    sqlite3_free(sql);
}

static void fill(const char *path, unsigned waiting)
{
    static const char *const tables[] = { "instance", "step", "bookmark", "subscription" };
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        die("messages: cannot open %s", path);
    run_sql(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;"
                "PRAGMA cache_size = -600000; BEGIN");
    for (size_t i = 0; i < PW_LENGTH(tables); i++)
        copy_rows(db, tables[i], waiting - 1);
    run_sql(db, "COMMIT; PRAGMA journal_mode = WAL");
    (void)sqlite3_close(db);
}

static cost beside(const char *dir, unsigned waiting)
{
    char path[4096];
    load l = { 0 };
    (void)bench_file(path, dir, "bench-messages.db");
    load_open(&l, path, 1);
    load_deploy(&l, waits);
    pawl_free(start(&l, "bench/waits", "{\"id\":\"never\"}"));
    load_close(&l);
    if (waiting > 1)
        fill(path, waiting);
    load_open(&l, path, 1);
    drain(&l);
    for (unsigned i = 0; i < WARM; i++)
        publish(&l, 1, i);
    cost before = measure_now(l.pawl->store);
    measure_mark_begin();
    for (unsigned i = 0; i < FLAT; i++)
        publish(&l, 1, WARM + i);
    measure_mark_end("message");
    cost c = measure_since(&before, l.pawl->store);
    load_close(&l);
    bench_remove(path);
    return c;
}

static void flat(const char *dir, const char *sizes)
{
    printf("flat: one message that nobody wants, beside so many who wait for others\n"
           "  %10s %10s %10s %12s %8s %8s %12s\n",
           "waiting", "us", "cpu us", "statements", "rows", "syncs", "allocations");
    for (const char *at = sizes; *at;) {
        char *end = NULL;
        unsigned long waiting = strtoul(at, &end, 10);
        if (end == at || waiting < 1 || waiting > 100000000)
            die("messages: '%s' is no list of numbers", sizes);
        at = *end == ',' ? end + 1 : end;
        cost c = beside(dir, (unsigned)waiting);
        printf("  %10lu %10.1f %10.1f %12.2f %8.2f %8.2f %12.1f\n", waiting,
               (double)c.wall_ns / 1000 / FLAT, (double)c.cpu_us / FLAT, (double)c.statements / FLAT,
               (double)c.rows / FLAT, (double)c.syncs / FLAT, (double)c.allocations / FLAT);
        (void)fflush(stdout);
    }
}

/* ------------------------------------------------------------------ the whole way */

static void tell(const char *what, const cost *c, unsigned count)
{
    printf("  %-34s %10.0f %10.1f %10.2f %8.2f %8.2f\n", what, count / ((double)c->wall_ns / 1e9),
           (double)c->cpu_us / count, (double)c->statements / count, (double)c->rows / count,
           (double)c->syncs / count);
    (void)fflush(stdout);
}

typedef struct way {
    const char *title, *document, *name;
    bool each; /* an instance for each message */
    unsigned batch;
} way;

static void go(const char *dir, const way *w, unsigned count)
{
    char path[4096], input[64];
    pawl_error err;
    load l = { 0 };
    (void)bench_file(path, dir, "bench-messages.db");
    load_open(&l, path, 1);
    load_deploy(&l, w->document);
    char **ids = must(pw_zalloc(count * sizeof *ids));
    unsigned instances = w->each ? count : 1;
    for (unsigned i = 0; i < instances; i++) {
        (void)snprintf(input, sizeof input, "{\"id\":\"s%u\",\"n\":%u}", i, count);
        ids[i] = start(&l, w->name, input);
    }
    drain(&l);
    cost before = measure_now(l.pawl->store);
    for (unsigned i = 0; i < count; i += w->batch)
        publish(&l, count - i < w->batch ? count - i : w->batch, i);
    for (unsigned i = 0; i < instances; i++) {
        check(pawl_wait(l.pawl, ids[i], PAWL_WAIT_END, DRAIN_MS, NULL, &err), &err);
        pawl_free(ids[i]);
    }
    cost c = measure_since(&before, l.pawl->store);
    tell(w->title, &c, count);
    pw_free(ids);
    load_close(&l);
    bench_remove(path);
}

static void whole_way(const char *dir, unsigned count)
{
    static const way ways[] = {
        { "a listen that stays open, by 100", open_, "bench/open", false, BATCH },
        { "a listen that stays open, by 1", open_, "bench/open", false, 1 },
        { "two listens in turn, by 100", turns, "bench/turns", false, BATCH },
        { "two listens in turn, by 1", turns, "bench/turns", false, 1 },
        { "an instance for each, by 100", waits, "bench/waits", true, BATCH },
    };
    printf("way: %u messages until they are taken; published so many at once\n"
           "  %-34s %10s %10s %10s %8s %8s\n",
           count, "", "a second", "cpu us", "statements", "rows", "syncs");
    for (size_t i = 0; i < PW_LENGTH(ways); i++)
        go(dir, &ways[i], count);
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        { "dir", required_argument, NULL, 'd' },
        { "waiting", required_argument, NULL, 'w' },
        { "count", required_argument, NULL, 'c' },
        { NULL, 0, NULL, 0 },
    };
    const char *dir = NULL, *waiting = "10,10000,1000000";
    unsigned long count = 2000;
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'd')
            dir = optarg;
        else if (c == 'w')
            waiting = optarg;
        else if (c == 'c')
            count = strtoul(optarg, NULL, 10);
        else
            return 2;
    }
    if (!dir || optind != argc || count > 1000000)
        die("use: messages --dir DIR [--waiting N,N,...] [--count N]");
    flat(dir, waiting);
    if (count)
        whole_way(dir, (unsigned)count);
    return 0;
}
