/* checkpoint.c - moves committed pages from the write-ahead log into the database, off the writer.
 *
 * SQLite's own autocheckpoint runs inside the commit that fills the log: that commit would wait for
 * hundreds of random writes and a second fsync. Here a thread with a connection of its own does it,
 * PASSIVE: it waits for nobody and nobody waits for it.
 *
 * A checkpoint costs two fsyncs, so it is made for every PASSIVE_FRAMES that were added, not for
 * every commit that finds the log long.
 *
 * Under steady commits a passive checkpoint never catches up entirely, so the log could not begin
 * again and would grow for ever. Once it is longer than RESET_FRAMES, the thread runs one more
 * checkpoint with the writer held; the next commit begins the log again. SQLite syncs the file only
 * in a checkpoint that leaves nothing, which would be this one: every commit would wait until all
 * that was moved since the last is on the disk (7 to 23 ms). So the file is synced before, what was
 * committed during that is moved and synced, too, and what is left for the writer to wait for are
 * the few pages of the commits of a moment. A reader that stays open keeps the log from beginning
 * again; reads here end with their call.
 *
 * A checkpoint that fails loses nothing: the log keeps what it holds, and the next one tries again.
 * But for a failed sync: Linux counts the pages as written then, so a later sync would succeed
 * without them, and the log would be given up for a file that has not got them. The store must be
 * opened again after it, which moves the log from its beginning. */
#include <errno.h>

#include "store/sqlite/sqlite_internal.h"

enum {
    PASSIVE_FRAMES = 1000, /* since the last one; pages of 4 KiB, as SQLite's default */
    RESET_FRAMES = 8000,   /* 32 MiB */
};

/* SQLite calls it after each commit of the writer, still in its thread. */
static int after_commit(void *context, sqlite3 *db, const char *name, int frames)
{
    (void)db;
    (void)name;
    pw_checkpointer *checkpointer = context;
    pthread_mutex_lock(&checkpointer->lock);
    checkpointer->frames = frames;
    if (frames < checkpointer->tried) /* the log has begun again */
        checkpointer->tried = 0;
    if (frames - checkpointer->tried >= PASSIVE_FRAMES)
        pthread_cond_signal(&checkpointer->wake);
    pthread_mutex_unlock(&checkpointer->lock);
    return SQLITE_OK;
}

static int move_pages(sqlite3 *db)
{
    int left = 0, moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, &left, &moved);
    return rc == SQLITE_OK ? rc : sqlite3_extended_errcode(db);
}

/* By SQLite's own descriptor: to open and close another would give its locks away. */
static int sync_file(sqlite3 *db)
{
    sqlite3_file *file = NULL;
    int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    return rc == SQLITE_OK && file->pMethods ? file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) : rc;
}

static int move_and_sync(sqlite3 *db)
{
    int rc = move_pages(db);
    return rc == SQLITE_OK ? sync_file(db) : rc;
}

static int checkpoint(pw_sqlite *store, sqlite3 *db, bool whole)
{
    if (!whole)
        return move_pages(db);
    int rc = move_and_sync(db);
    if (rc == SQLITE_OK)
        rc = move_and_sync(db);
    if (rc != SQLITE_OK)
        return rc;
    pthread_mutex_lock(&store->write_lock);
    rc = move_pages(db);
    pthread_mutex_unlock(&store->write_lock);
    return rc;
}

static void set_broken(pw_sqlite *store)
{
    pthread_mutex_lock(&store->write_lock);
    store->broken = true;
    pthread_mutex_unlock(&store->write_lock);
}

static void *checkpointer_main(void *context)
{
    pw_sqlite *store = context;
    pw_checkpointer *checkpointer = &store->checkpointer;
    pw_connection connection;
    memset(&connection, 0, sizeof connection);
    pthread_mutex_lock(&checkpointer->lock);
    while (!checkpointer->stop) {
        if (!checkpointer->wanted && checkpointer->frames - checkpointer->tried < PASSIVE_FRAMES) {
            pthread_cond_wait(&checkpointer->wake, &checkpointer->lock);
            continue;
        }
        int frames = checkpointer->frames;
        bool whole = checkpointer->wanted || frames >= RESET_FRAMES;
        checkpointer->wanted = false;
        checkpointer->tried = frames;
        pthread_mutex_unlock(&checkpointer->lock);
        if ((connection.db ||
             pw_connection_open(&connection, store->path, PW_CONNECT_WRITE, NULL) == PAWL_OK) &&
            checkpoint(store, connection.db, whole) == SQLITE_IOERR_FSYNC)
            set_broken(store);
        pthread_mutex_lock(&checkpointer->lock);
    }
    pthread_mutex_unlock(&checkpointer->lock);
    pw_connection_close(&connection);
    return NULL;
}

pawl_code pw_checkpointer_start(pw_sqlite *store, pawl_error *err)
{
    pw_checkpointer *checkpointer = &store->checkpointer;
    checkpointer->stop = false;
    checkpointer->frames = checkpointer->tried = 0;
    int reason = pthread_create(&checkpointer->thread, NULL, checkpointer_main, store);
    if (reason != 0)
        return pw_fail_native(err, reason == ENOMEM ? PAWL_NO_MEMORY : PAWL_IO, reason,
                              "cannot start a thread: %s", strerror(reason));
    (void)pthread_setname_np(checkpointer->thread, "pawl-checkpoint");
    checkpointer->running = true;
    (void)sqlite3_wal_hook(store->writer.db, after_commit, checkpointer);
    return PAWL_OK;
}

void pw_checkpointer_wake(pw_sqlite *store)
{
    pw_checkpointer *checkpointer = &store->checkpointer;
    pthread_mutex_lock(&checkpointer->lock);
    checkpointer->wanted = true;
    pthread_cond_signal(&checkpointer->wake);
    pthread_mutex_unlock(&checkpointer->lock);
}

void pw_checkpointer_stop(pw_sqlite *store)
{
    pw_checkpointer *checkpointer = &store->checkpointer;
    if (!checkpointer->running)
        return;
    pthread_mutex_lock(&checkpointer->lock);
    checkpointer->stop = true;
    pthread_cond_signal(&checkpointer->wake);
    pthread_mutex_unlock(&checkpointer->lock);
    pthread_join(checkpointer->thread, NULL);
    checkpointer->running = false;
}
