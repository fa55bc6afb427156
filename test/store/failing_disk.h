/* failing_disk.h - SQLite's own file system with a layer over it that fails on demand, and its
 * memory, which can be made to run out. */
#ifndef STORE_FAILING_DISK_H
#define STORE_FAILING_DISK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sqlite3.h>

#include "test.h"

static struct {
    _Atomic int sync_in, write_in, read_in; /* the nth from now fails, and all after it; 0: none */
    _Atomic int file_sync_in;               /* the same, of syncs of anything but logs */
    _Atomic int write_code;
    _Atomic unsigned syncs;                  /* of write-ahead logs */
    _Atomic unsigned refused;                /* locks that another connection has */
    _Atomic uint64_t log_bytes, file_writes; /* written to logs; and anywhere else */
} disk;

static int (*real_open)(sqlite3_vfs *, const char *, sqlite3_file *, int, int *);

typedef struct layer_file {
    sqlite3_file base;
    bool log;
    sqlite3_file *real; /* behind this struct */
} layer_file;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((layer_file *)file)->real;
}

static bool fails(_Atomic int *counter)
{
    int left = atomic_load(counter);
    if (left == 0)
        return false;
    if (left > 1)
        atomic_store(counter, left - 1);
    return left == 1;
}

static int layer_close(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}
static int layer_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    if (fails(&disk.read_in))
        return SQLITE_IOERR_READ;
    return real_of(f)->pMethods->xRead(real_of(f), to, n, at);
}
static int layer_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    if (fails(&disk.write_in))
        return atomic_load(&disk.write_code);
    if (((layer_file *)f)->log)
        atomic_fetch_add(&disk.log_bytes, (uint64_t)n);
    else
        atomic_fetch_add(&disk.file_writes, 1);
    return real_of(f)->pMethods->xWrite(real_of(f), from, n, at);
}
static int layer_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return real_of(f)->pMethods->xTruncate(real_of(f), size);
}
static int layer_sync(sqlite3_file *f, int flags)
{
    const bool log = ((layer_file *)f)->log;
    if (log)
        atomic_fetch_add(&disk.syncs, 1);
    if (fails(&disk.sync_in) || (!log && fails(&disk.file_sync_in)))
        return SQLITE_IOERR_FSYNC;
    return real_of(f)->pMethods->xSync(real_of(f), flags);
}
static int layer_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), size);
}
static int layer_lock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xLock(real_of(f), level);
}
static int layer_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}
static int layer_reserved(sqlite3_file *f, int *out)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}
static int layer_control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}
static int layer_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}
static int layer_device(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}
static int layer_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}
static int layer_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    int rc = real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
    if (rc == SQLITE_BUSY)
        atomic_fetch_add(&disk.refused, 1);
    return rc;
}
static void layer_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}
static int layer_unmap(sqlite3_file *f, int delete)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), delete);
}

static const sqlite3_io_methods layer_methods = {
    .iVersion = 2,
    .xClose = layer_close,
    .xRead = layer_read,
    .xWrite = layer_write,
    .xTruncate = layer_truncate,
    .xSync = layer_sync,
    .xFileSize = layer_size,
    .xLock = layer_lock,
    .xUnlock = layer_unlock,
    .xCheckReservedLock = layer_reserved,
    .xFileControl = layer_control,
    .xSectorSize = layer_sector,
    .xDeviceCharacteristics = layer_device,
    .xShmMap = layer_map,
    .xShmLock = layer_shm_lock,
    .xShmBarrier = layer_barrier,
    .xShmUnmap = layer_unmap,
};

static sqlite3_vfs *real_vfs, layer_vfs;

static int layer_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    (void)vfs;
    layer_file *layer = (layer_file *)file;
    layer->base.pMethods = NULL;
    layer->log = (flags & SQLITE_OPEN_WAL) != 0;
    layer->real = (sqlite3_file *)(void *)(layer + 1);
    int rc = real_open(real_vfs, name, layer->real, flags, out);
    if (layer->real->pMethods)
        layer->base.pMethods = &layer_methods;
    return rc;
}

__attribute__((constructor)) static void put_layer(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    real_open = real_vfs->xOpen;
    layer_vfs = *real_vfs;
    layer_vfs.zName = "failing";
    layer_vfs.szOsFile = (int)sizeof(layer_file) + real_vfs->szOsFile;
    layer_vfs.xOpen = layer_open;
    (void)sqlite3_vfs_register(&layer_vfs, 1);
}

static inline void disk_is_well(void)
{
    atomic_store(&disk.sync_in, 0);
    atomic_store(&disk.file_sync_in, 0);
    atomic_store(&disk.write_in, 0);
    atomic_store(&disk.read_in, 0);
}

/* ---- SQLite's memory */

static sqlite3_mem_methods real_memory;
static _Atomic int memory_in; /* the nth allocation from now fails, and all after it; 0: none */

static inline void *failing_malloc(int n)
{
    return fails(&memory_in) ? NULL : real_memory.xMalloc(n);
}
static inline void *failing_realloc(void *old, int n)
{
    return fails(&memory_in) ? NULL : real_memory.xRealloc(old, n);
}

/* From now on memory_in is looked at. Nothing of SQLite's may be open. */
static inline void let_memory_fail(void)
{
    EXPECT_INT(sqlite3_shutdown(), SQLITE_OK);
    EXPECT_INT(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory), SQLITE_OK);
    sqlite3_mem_methods failing = real_memory;
    failing.xMalloc = failing_malloc;
    failing.xRealloc = failing_realloc;
    EXPECT_INT(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing), SQLITE_OK);
    EXPECT_INT(sqlite3_initialize(), SQLITE_OK);
    real_vfs = sqlite3_vfs_find("unix");
    (void)sqlite3_vfs_register(&layer_vfs, 1);
}
#endif
