/* disk.h - how much room the disk of the store has, and what is done about it.
 *
 * Two marks. Below `low` nothing is started: starts of callers are refused (disk-low), schedules wait; what runs goes on to its
 * end. Below `full` everything pauses: no command is taken, no event decided, and nothing is written but what gives space
 * back; answers of the outside wait in memory. When there is room again it all goes on by itself. What has been left is left
 * only above the mark and a tenth, so that the two sides of it do not take turns. */
#ifndef PW_DISK_H
#define PW_DISK_H

#include "engine/sync.h"

typedef struct pw_disk pw_disk;

typedef enum pw_disk_state { PW_DISK_OK, PW_DISK_LOW, PW_DISK_FULL } pw_disk_state;
const char *pw_disk_state_name(pw_disk_state state); /* "ok", "low", "full" */

#define PW_DISK_MS 5000 /* looked at so often; more often below a mark */
#define PW_DISK_LOW_BYTES (UINT64_C(512) << 20)
#define PW_DISK_FULL_BYTES (UINT64_C(64) << 20)
#define PW_DISK_LOW_SHARE 10u /* the defaults are no more than a tenth and a fiftieth of the disk */
#define PW_DISK_FULL_SHARE 50u

typedef struct pw_disk_marks { /* bytes that are free; 0: that mark is not looked at */
    uint64_t low, full;
} pw_disk_marks;
/* What is given, with the defaults of a disk of that size in place of 0. PAWL_INVALID: they make no sense. */
PAWL_CHECK pawl_code pw_disk_marks_read(pw_disk_marks *out, const pw_disk_marks *given, uint64_t disk_bytes, pawl_error *err);
pw_disk_state pw_disk_judge(const pw_disk_marks *marks, pw_disk_state before, uint64_t free_bytes);

/* Looks once, then has a thread do so. Where there is nothing to watch (no disk, both marks UINT64_MAX, PAWL_SERVICE_DISK is off)
 * *out is NULL. marks: as in pawl_options. PAWL_INVALID: they make no sense. */
PAWL_CHECK pawl_code pw_disk_start(pw_disk **out, pawl *p, const pw_disk_marks *marks, pawl_error *err);
void pw_disk_stop(pw_disk *disk); /* tells it; does not wait. NULL is fine, as for what follows */
/* Waits for its round: what that tells of is there yet, and the committer asks no more. */
void pw_disk_free(pw_disk *disk);
/* Looks again, soon: somebody has met a full disk. */
void pw_disk_wake(pw_disk *disk);
/* Asks the file system now: may something be written? For who has met a full disk, and tries again. */
bool pw_disk_has_room(pw_disk *disk);
/* Tests: so many bytes are free, whatever the file system says, from the next look on. UINT64_MAX: no more. */
void pw_disk_pretend(pw_disk *disk, uint64_t free_bytes);
/* Until a look that began after this call has ended. PAWL_TIMEOUT; PAWL_BUSY: closing. */
PAWL_CHECK pawl_code pw_disk_look(pw_disk *disk, uint64_t deadline_ns, pawl_error *err);

/* ---- what everybody asks; any thread */
pw_disk_state pw_disk_state_of(const pawl *p);
bool pw_disk_is_full(const pawl *p);
/* PAWL_BUSY, disk-low: it is not taken now. starts: it would start something that is not there yet. */
PAWL_CHECK pawl_code pw_disk_allows(const pawl *p, bool starts, pawl_error *err);
#endif
