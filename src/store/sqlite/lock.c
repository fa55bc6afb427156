/* lock.c - who owns the store: a lock on a file beside it.
 *
 * The lock is of the open file description (F_OFD_SETLK), so the kernel gives it back however the
 * process ends, and a second open in the same process is refused like any other. The file's text,
 * the owner's process id, is only for the message. The file stays when the lock is given back:
 * removing it would let two processes lock two files of the same name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/sqlite/sqlite_internal.h"

static pawl_code owned(int fd, const char *path, pawl_error *err)
{
    char text[24] = "";
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    long pid = strtol(text, NULL, 10);
    if (pid <= 0) /* it has the lock, but has not written its id yet */
        return pw_fail(err, PAWL_BUSY,
                       "'%.200s' is owned by another process: send it commands, or stop it", path);
    if (pid == (long)getpid())
        return pw_fail(err, PAWL_BUSY, "'%.200s' is open in this process already", path);
    return pw_fail(err, PAWL_BUSY, "'%.200s' is owned by process %ld: send it commands, or stop it",
                   path, pid);
}

pawl_code pw_sqlite_lock(int *fd, const char *path, pawl_error *err)
{
    char *name = NULL;
    if (asprintf(&name, "%s-lock", path) < 0)
        return pw_no_memory(err);
    int lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    free(name);
    if (lock < 0)
        return pw_fail_native(err, PAWL_IO, errno,
                              "'%.200s-lock' cannot be opened for writing: %s: the owner of a "
                              "store must be able to write its directory",
                              path, strerror(errno));
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fcntl(lock, F_OFD_SETLK, &whole) != 0) {
        int reason = errno;
        pawl_code code = reason == EAGAIN || reason == EACCES
                             ? owned(lock, path, err)
                             : pw_fail_native(err, PAWL_IO, reason,
                                              "'%.200s-lock' cannot be locked: %s: put the "
                                              "store on a file system with locks",
                                              path, strerror(reason));
        (void)close(lock);
        return code;
    }
    char text[24];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(lock, 0) != 0 || pwrite(lock, text, (size_t)length, 0) != length) {
        /* A full disk: the message of another process will lack our id, nothing else. */
        (void)!ftruncate(lock, 0);
    }
    *fd = lock;
    return PAWL_OK;
}

void pw_sqlite_unlock(int fd)
{
    if (fd < 0)
        return;
    (void)!ftruncate(fd, 0);
    (void)close(fd);
}

/* Asks for the lock without taking it: who opens the store meanwhile is not kept from it. */
bool pw_sqlite_is_owned(pw_store *base)
{
    const pw_sqlite *store = pw_sqlite_of(base);
    char *name = NULL;
    if (store->lock_fd >= 0 || asprintf(&name, "%s-lock", store->path) < 0)
        return true;
    int lock = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool owned = lock >= 0 || errno != ENOENT;
    free(name);
    struct flock whole = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
    if (lock >= 0 && fcntl(lock, F_OFD_GETLK, &whole) == 0)
        owned = whole.l_type != F_UNLCK;
    if (lock >= 0)
        (void)close(lock);
    return owned;
}
