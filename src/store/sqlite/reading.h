/* reading.h - one read of the SQLite store: a reader is taken, one statement run to its end, the
 * reader given back. What a row holds that no program of ours wrote is PAWL_CORRUPT, with the row's
 * name. */
#ifndef PW_SQLITE_READING_H
#define PW_SQLITE_READING_H

#include "store/sqlite/sqlite_internal.h"

/* ---- one read */

typedef struct reading {
    pw_sqlite *store;
    pw_sqlite_reader *reader;
    pw_query query;
    pw_arena *arena;
    pawl_error *err;
    pawl_code code; /* of what a row holds */
} reading;

static inline pawl_code read_begin(reading *r, pw_store *base, pw_sqlite_sql sql, pw_arena *arena,
                                   pawl_error *err)
{
    *r = (reading){ .store = pw_sqlite_of(base), .arena = arena, .err = err };
    pawl_code code = pw_sqlite_reader_take(r->store, &r->reader, err);
    if (code == PAWL_OK)
        r->query = pw_query_begin(&r->reader->connection, sql);
    return code;
}

static inline pawl_code read_end(reading *r)
{
    int rc = pw_query_end(&r->query);
    pawl_code code = r->code;
    if (rc != SQLITE_OK)
        code = pw_sqlite_fail(&r->reader->connection, rc, "read", r->err);
    else if (code == PAWL_OK && r->arena && r->arena->failed)
        code = pw_no_memory(r->err);
    pw_sqlite_reader_give(r->store, r->reader, rc == SQLITE_OK);
    return code;
}

/* The next row; false at the end, and after a row that cannot be read. */
static inline bool next(reading *r)
{
    return r->code == PAWL_OK && (!r->arena || !r->arena->failed) && pw_query_row(&r->query);
}

static inline pw_str text(reading *r, int at)
{
    return pw_column_text(&r->query, at, r->arena);
}

static inline int64_t integer(reading *r, int at)
{
    return pw_column_int(&r->query, at, 0);
}

static inline void bad_row(reading *r, const char *table, pw_str key, const char *what)
{
    if (r->code == PAWL_OK && !r->arena->failed) /* a text that found no room is no bad row */
        r->code = pw_fail(r->err, PAWL_CORRUPT,
                          "'%s' is damaged: table %s, row '%.*s': %s: restore it from a backup",
                          r->reader->connection.shown, table, (int)(key.len > 128 ? 128 : key.len),
                          key.len ? key.ptr : "", what);
}

/* A number that the program keeps as unsigned. */
static inline uint64_t natural(reading *r, int at, const char *table, pw_str key, const char *what)
{
    int64_t n = integer(r, at);
    if (n < 0)
        bad_row(r, table, key, what);
    return n < 0 ? 0 : (uint64_t)n;
}

static inline uint32_t small(reading *r, int at, const char *table, pw_str key, const char *what)
{
    uint64_t n = natural(r, at, table, key, what);
    if (n > UINT32_MAX)
        bad_row(r, table, key, what);
    return (uint32_t)n;
}

/* ---- arrays of rows that grow as they come */

typedef struct rows {
    void *items;
    size_t count, room, size; /* size: of one */
} rows;

/* Zeroed room for one more; NULL: the arena has failed, and next() ends. */
static inline void *add(reading *r, rows *list)
{
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 16;
        void *grown =
            pw_arena_grow(r->arena, list->items, list->room * list->size, room * list->size);
        if (!grown)
            return NULL;
        list->items = grown;
        list->room = room;
    }
    void *item = (char *)list->items + list->count++ * list->size;
    memset(item, 0, list->size);
    return item;
}
#endif
