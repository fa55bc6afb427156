/* space.c - how much room the store takes, and how much is left on its disk.
 *
 * The sizes are the file system's: what the log holds is not in the file yet, and what was freed is
 * still in it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/sqlite/sqlite_internal.h"

static pawl_code cannot_look(const char *path, pawl_error *err)
{
    return pw_fail_native(err, PAWL_IO, errno, "'%.300s': how much room there is cannot be told: %s", path,
                          strerror(errno));
}

/* One that is not there is empty. */
static pawl_code size_of(const char *path, uint64_t *out, pawl_error *err)
{
    struct stat info;
    if (stat(path, &info) == 0)
        *out = (uint64_t)info.st_size;
    else if (errno == ENOENT)
        *out = 0;
    else
        return cannot_look(path, err);
    return PAWL_OK;
}

static pawl_code look_at_files(const pw_sqlite *store, pw_store_space *out, pawl_error *err)
{
    char *log = NULL;
    if (asprintf(&log, "%s-wal", store->path) < 0)
        return pw_no_memory(err);
    pawl_code code = size_of(store->path, &out->file_bytes, err);
    if (code == PAWL_OK)
        code = size_of(log, &out->wal_bytes, err);
    free(log);
    struct statvfs disk;
    if (code == PAWL_OK && statvfs(store->path, &disk) != 0)
        code = cannot_look(store->path, err);
    if (code != PAWL_OK)
        return code;
    /* Some blocks are kept for root. */
    const uint64_t blocks = geteuid() == 0 ? disk.f_bfree : disk.f_bavail;
    out->disk_free_bytes = blocks * disk.f_frsize;
    out->disk_bytes = (uint64_t)disk.f_blocks * disk.f_frsize;
    return PAWL_OK;
}

static pawl_code look_inside(pw_sqlite *store, pw_store_space *out, pawl_error *err)
{
    pw_sqlite_reader *reader = NULL;
    int64_t pages = 0, bytes = 0;
    pawl_code code = pw_sqlite_reader_take(store, &reader, err);
    if (code != PAWL_OK)
        return code;
    code = pw_connection_pragma(&reader->connection, "PRAGMA freelist_count", &pages, err);
    if (code == PAWL_OK)
        code = pw_connection_pragma(&reader->connection, "PRAGMA page_size", &bytes, err);
    pw_sqlite_reader_give(store, reader, code == PAWL_OK);
    out->free_bytes = (uint64_t)(pages * bytes);
    out->page_bytes = (uint32_t)bytes;
    return code;
}

pawl_code pw_sqlite_space(pw_store *base, pw_store_space *out, pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    pw_store_space space = { 0 };
    pawl_code code = look_at_files(store, &space, err);
    if (code == PAWL_OK)
        code = look_inside(store, &space, err);
    if (code == PAWL_OK)
        *out = space;
    return code;
}
