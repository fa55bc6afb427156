/* vfs.h - a disk under SQLite that loses its power, and fails on demand. */
#ifndef CRASH_VFS_H
#define CRASH_VFS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum disk_op { DISK_READ, DISK_WRITE, DISK_SYNC, DISK_TRUNCATE, DISK_OPEN } disk_op;

/* Registers itself as SQLite's default VFS. */
void disk_install(void);
/* Forgets all files, which must be closed: what they hold is on the disk. Nothing fails. The seed
 * decides what is kept when the power is lost or a sync fails. */
void disk_reset(uint64_t seed);

/* The nth such operation from now fails, once, with SQLite's `code` and `reason` in errno. A write
 * that fails has written its first half; a sync that fails has kept some of what was to be synced,
 * and a later one will not make up for the rest: so does Linux. */
void disk_fail(disk_op op, unsigned nth, int code, int reason);
bool disk_has_failed(void);

/* At the nth change from now (write, sync, truncation, removal) everything stops, and nothing works
 * until disk_kill_over or disk_power_over. 0: at once. */
void disk_stop_at(unsigned nth);
bool disk_is_stopped(void);
/* After it stopped, and every file was closed. Of a process that was killed, all that was written
 * can be read. */
void disk_kill_over(void);
/* What was synced is there. Of each write since, the seed drops it, keeps it, or keeps one half; it
 * decides on truncations and removals too. */
void disk_power_over(void);
#endif
