/* vfs.c - a disk under SQLite that loses its power, and fails on demand.
 *
 * The real file is what processes see: the system's cache. Beside it, each file has `kept`, what is
 * on the disk for sure, and the changes since, in order. A sync applies them. When the power is
 * lost, some are applied, and the real file becomes what came of it.
 *
 * It is kinder than a real disk in two ways: a write changes no bytes beside its own (SQLite relies
 * on that: SQLITE_IOCAP_POWERSAFE_OVERWRITE), and what is not longer than a sector is never torn.
 * Names, and the removal of names, are on the disk when a log or journal is synced for the first
 * time after it was opened, because SQLite then syncs the directory; the name of the database
 * itself, once it is made. The -shm file is no file of this disk: it is gone with the power. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sqlite3.h>

#include "vfs.h"

enum { SECTOR = 512, FILES_MAX = 8, PATH_MAX_HERE = 1024 };

typedef struct change {
    enum { CHANGE_WRITE, CHANGE_TRUNCATE, CHANGE_REMOVE } kind;
    size_t at, len; /* TRUNCATE: the new size in at */
    uint8_t *bytes;
} change;

typedef struct disk_file {
    char path[PATH_MAX_HERE];
    bool named; /* the name is on the disk */
    uint8_t *kept;
    size_t kept_len, kept_room;
    change *changes;
    size_t change_count, change_room;
} disk_file;

static struct {
    pthread_mutex_t lock; /* over all of it: the store's checkpoint thread writes too */
    disk_file files[FILES_MAX];
    size_t file_count;
    uint64_t seed;
    unsigned fail_in[DISK_OPEN + 1]; /* 0: never */
    int fail_code, fail_reason;
    bool failed;
    unsigned stop_in; /* 0: never */
    bool stopped;
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER };

typedef struct layer_file {
    sqlite3_file base;
    disk_file *file;    /* NULL: a temporary one */
    bool sync_names;    /* a log or journal, not synced yet through this handle */
    sqlite3_file *real; /* behind this struct */
} layer_file;

static sqlite3_vfs *real_vfs, layer_vfs;

static _Noreturn void give_up(const char *what)
{
    perror(what);
    abort();
}

static uint64_t draw(uint64_t below) /* splitmix64 */
{
    uint64_t z = disk.seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % below;
}

/* ---- what is on the disk */

static void *grown(void *old, size_t size)
{
    void *bytes = realloc(old, size ? size : 1);
    if (!bytes)
        give_up("realloc");
    return bytes;
}

static void resize(disk_file *f, size_t len)
{
    if (len > f->kept_room) {
        f->kept_room = 2 * len;
        f->kept = grown(f->kept, f->kept_room);
    }
    if (len > f->kept_len)
        memset(f->kept + f->kept_len, 0, len - f->kept_len);
    f->kept_len = len;
}

static void apply_bytes(disk_file *f, const change *c, size_t from, size_t to)
{
    if (c->at + to > f->kept_len)
        resize(f, c->at + to);
    memcpy(f->kept + c->at + from, c->bytes + from, to - from);
}

static void apply(disk_file *f, const change *c)
{
    switch (c->kind) {
    case CHANGE_WRITE:
        apply_bytes(f, c, 0, c->len);
        break;
    case CHANGE_TRUNCATE:
        resize(f, c->at);
        break;
    case CHANGE_REMOVE:
        resize(f, 0);
        f->named = false;
        break;
    }
}

static void no_changes(disk_file *f)
{
    for (size_t i = 0; i < f->change_count; i++)
        free(f->changes[i].bytes);
    f->change_count = 0;
}

static void synced(disk_file *f)
{
    for (size_t i = 0; i < f->change_count; i++)
        apply(f, &f->changes[i]);
    no_changes(f);
}

static void names_synced(void)
{
    for (size_t n = 0; n < disk.file_count; n++) {
        disk_file *f = &disk.files[n];
        size_t gone = 0; /* what was written to a file that was removed later */
        for (size_t i = 0; i < f->change_count; i++)
            if (f->changes[i].kind == CHANGE_REMOVE)
                gone = i + 1;
        for (size_t i = 0; i < gone; i++)
            free(f->changes[i].bytes);
        if (gone) {
            resize(f, 0);
            f->change_count -= gone;
            memmove(f->changes, f->changes + gone, f->change_count * sizeof *f->changes);
        }
        f->named = access(f->path, F_OK) == 0;
    }
}

/* Some of the changes, each drawn: from none to all of them, by how lucky the file is. */
static void partly_synced(disk_file *f)
{
    uint64_t luck = draw(5); /* of 4 */
    for (size_t i = 0; i < f->change_count; i++) {
        const change *c = &f->changes[i];
        size_t half = c->len / 2;
        bool lucky = draw(4) < luck;
        if (c->kind == CHANGE_REMOVE && !lucky)
            break; /* what follows is of another file of that name */
        if (lucky)
            apply(f, c);
        else if (c->kind == CHANGE_WRITE && c->len > SECTOR && draw(3) == 0)
            apply_bytes(f, c, 0, half);
        else if (c->kind == CHANGE_WRITE && c->len > SECTOR && draw(3) == 0)
            apply_bytes(f, c, half, c->len);
        if (lucky && c->kind != CHANGE_REMOVE)
            f->named = true;
    }
    no_changes(f);
}

static void note(disk_file *f, change c, const void *bytes)
{
    if (c.len) {
        c.bytes = grown(NULL, c.len);
        memcpy(c.bytes, bytes, c.len);
    }
    if (f->change_count == f->change_room) {
        f->change_room = f->change_room ? 2 * f->change_room : 64;
        f->changes = grown(f->changes, f->change_room * sizeof *f->changes);
    }
    f->changes[f->change_count++] = c;
}

/* Makes the real file what is kept. */
static void put_back(const disk_file *f)
{
    if (!f->named) {
        if (unlink(f->path) != 0 && errno != ENOENT)
            give_up(f->path);
        return;
    }
    int fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        give_up(f->path);
    for (size_t done = 0; done < f->kept_len;) {
        ssize_t n = write(fd, f->kept + done, f->kept_len - done);
        if (n <= 0)
            give_up(f->path);
        done += (size_t)n;
    }
    (void)close(fd);
}

static void read_kept(disk_file *f)
{
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0)
        give_up(f->path);
    resize(f, (size_t)size);
    if (pread(fd, f->kept, f->kept_len, 0) != (ssize_t)f->kept_len)
        give_up(f->path);
    (void)close(fd);
    f->named = true;
}

static disk_file *find(const char *path)
{
    for (size_t i = 0; i < disk.file_count; i++)
        if (strcmp(disk.files[i].path, path) == 0)
            return &disk.files[i];
    return NULL;
}

/* Before the file is made, if it is not there. */
static disk_file *file_of(const char *path)
{
    disk_file *f = find(path);
    if (f)
        return f;
    if (disk.file_count == FILES_MAX || strlen(path) >= sizeof f->path)
        give_up("too many files");
    f = &disk.files[disk.file_count++];
    memset(f, 0, sizeof *f);
    (void)snprintf(f->path, sizeof f->path, "%s", path);
    read_kept(f);
    return f;
}

/* ---- what goes wrong; with the lock held */

static bool fails(disk_op op)
{
    if (disk.fail_in[op] == 0 || --disk.fail_in[op] > 0)
        return false;
    disk.failed = true;
    errno = disk.fail_reason;
    return true;
}

/* True: this change is the last that was begun. */
static bool stops(void)
{
    if (disk.stop_in == 0 || --disk.stop_in > 0)
        return false;
    return disk.stopped = true;
}

void disk_fail(disk_op op, unsigned nth, int code, int reason)
{
    pthread_mutex_lock(&disk.lock);
    memset(disk.fail_in, 0, sizeof disk.fail_in);
    disk.fail_in[op] = nth;
    disk.fail_code = code;
    disk.fail_reason = reason;
    disk.failed = false;
    pthread_mutex_unlock(&disk.lock);
}

bool disk_has_failed(void)
{
    pthread_mutex_lock(&disk.lock);
    bool failed = disk.failed;
    pthread_mutex_unlock(&disk.lock);
    return failed;
}

void disk_stop_at(unsigned nth)
{
    pthread_mutex_lock(&disk.lock);
    disk.stop_in = nth;
    disk.stopped = nth == 0;
    pthread_mutex_unlock(&disk.lock);
}

bool disk_is_stopped(void)
{
    pthread_mutex_lock(&disk.lock);
    bool stopped = disk.stopped;
    pthread_mutex_unlock(&disk.lock);
    return stopped;
}

void disk_reset(uint64_t seed)
{
    pthread_mutex_lock(&disk.lock);
    for (size_t i = 0; i < disk.file_count; i++) {
        no_changes(&disk.files[i]);
        free(disk.files[i].changes);
        free(disk.files[i].kept);
    }
    disk.file_count = 0;
    disk.seed = seed;
    memset(disk.fail_in, 0, sizeof disk.fail_in);
    disk.failed = disk.stopped = false;
    disk.stop_in = 0;
    pthread_mutex_unlock(&disk.lock);
}

void disk_kill_over(void)
{
    pthread_mutex_lock(&disk.lock);
    disk.stopped = false;
    disk.stop_in = 0;
    pthread_mutex_unlock(&disk.lock);
}

void disk_power_over(void)
{
    pthread_mutex_lock(&disk.lock);
    for (size_t i = 0; i < disk.file_count; i++) {
        char shm[PATH_MAX_HERE + 8];
        disk_file *f = &disk.files[i];
        partly_synced(f);
        put_back(f);
        (void)snprintf(shm, sizeof shm, "%s-shm", f->path);
        (void)unlink(shm);
    }
    uint64_t seed = disk.seed;
    pthread_mutex_unlock(&disk.lock);
    disk_reset(seed);
}

/* ---- the layer over the real files */

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((layer_file *)file)->real;
}
static disk_file *file_behind(sqlite3_file *file)
{
    return ((layer_file *)file)->file;
}

static int layer_close(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}

static int layer_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    pthread_mutex_lock(&disk.lock);
    int rc = disk.stopped ? SQLITE_IOERR_READ : fails(DISK_READ) ? disk.fail_code : SQLITE_OK;
    pthread_mutex_unlock(&disk.lock);
    return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xRead(real_of(f), to, n, at);
}

static int layer_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    sqlite3_file *real = real_of(f);
    disk_file *file = file_behind(f);
    int rc = SQLITE_IOERR_WRITE;
    if (!file)
        return real->pMethods->xWrite(real, from, n, at);
    pthread_mutex_lock(&disk.lock);
    if (!disk.stopped) {
        bool failed = fails(DISK_WRITE), last = stops();
        int written = failed ? n / 2 : n;
        int reason = errno;
        change c = { .kind = CHANGE_WRITE, .at = (size_t)at, .len = (size_t)written };
        note(file, c, from);
        rc = real->pMethods->xWrite(real, from, written, at);
        if (failed) {
            rc = disk.fail_code;
            errno = reason;
        } else if (last) {
            rc = SQLITE_IOERR_WRITE;
        }
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int layer_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    sqlite3_file *real = real_of(f);
    disk_file *file = file_behind(f);
    int rc = SQLITE_IOERR_TRUNCATE;
    if (!file)
        return real->pMethods->xTruncate(real, size);
    pthread_mutex_lock(&disk.lock);
    if (!disk.stopped && fails(DISK_TRUNCATE)) {
        rc = disk.fail_code;
    } else if (!disk.stopped) {
        bool last = stops();
        note(file, (change){ .kind = CHANGE_TRUNCATE, .at = (size_t)size }, NULL);
        rc = real->pMethods->xTruncate(real, size);
        rc = last ? SQLITE_IOERR_TRUNCATE : rc;
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int layer_sync(sqlite3_file *f, int flags)
{
    (void)flags; /* the real file is only the cache */
    disk_file *file = file_behind(f);
    int rc = SQLITE_IOERR_FSYNC;
    if (!file)
        return SQLITE_OK;
    pthread_mutex_lock(&disk.lock);
    if (!disk.stopped && fails(DISK_SYNC)) {
        int reason = errno;
        partly_synced(file);
        rc = disk.fail_code;
        errno = reason;
    } else if (!disk.stopped && !stops()) {
        if (((layer_file *)f)->sync_names)
            names_synced();
        ((layer_file *)f)->sync_names = false;
        synced(file);
        rc = SQLITE_OK;
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
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
    if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE)
        return SQLITE_OK; /* would change the real file behind our back */
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
    return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}
static void layer_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}
static int layer_unmap(sqlite3_file *f, int remove)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
}

static const sqlite3_io_methods layer_methods = {
    .iVersion = 2, /* no memory-mapped reads */
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

static int layer_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    (void)vfs;
    layer_file *layer = (layer_file *)file;
    layer->base.pMethods = NULL;
    layer->file = NULL;
    layer->sync_names = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
    layer->real = (sqlite3_file *)(void *)(layer + 1);
    pthread_mutex_lock(&disk.lock);
    int rc = disk.stopped ? SQLITE_CANTOPEN : fails(DISK_OPEN) ? disk.fail_code : SQLITE_OK;
    int reason = errno;
    if (rc == SQLITE_OK && name)
        layer->file = file_of(name);
    if (rc == SQLITE_OK) {
        rc = real_vfs->xOpen(real_vfs, name, layer->real, flags, out);
        if (layer->real->pMethods)
            layer->base.pMethods = &layer_methods;
        if (rc == SQLITE_OK && layer->file && (flags & SQLITE_OPEN_MAIN_DB))
            layer->file->named = true;
    } else {
        errno = reason;
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int layer_delete(sqlite3_vfs *vfs, const char *name, int durably)
{
    (void)vfs;
    int rc = SQLITE_IOERR_DELETE;
    pthread_mutex_lock(&disk.lock);
    if (!disk.stopped) {
        bool last = stops();
        disk_file *f = file_of(name);
        rc = real_vfs->xDelete(real_vfs, name, 0);
        if (rc == SQLITE_OK) {
            note(f, (change){ .kind = CHANGE_REMOVE }, NULL);
            if (durably && !last)
                names_synced();
        }
        rc = last ? SQLITE_IOERR_DELETE : rc;
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

void disk_install(void)
{
    real_vfs = sqlite3_vfs_find("unix");
    layer_vfs = *real_vfs;
    layer_vfs.zName = "losing";
    layer_vfs.szOsFile = (int)sizeof(layer_file) + real_vfs->szOsFile;
    layer_vfs.xOpen = layer_open;
    layer_vfs.xDelete = layer_delete;
    if (sqlite3_vfs_register(&layer_vfs, 1) != SQLITE_OK)
        give_up("sqlite3_vfs_register");
}
