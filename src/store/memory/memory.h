/* memory.h - the store in memory: what tests and the simulation may ask of it besides store.h. Only
 * for a store in memory. */
#ifndef PW_MEMORY_H
#define PW_MEMORY_H

#include "store/store.h"

/* The nth commit of steps or messages by this handle from now (1: the next) answers PAWL_IO, as do all after it
 * until pw_store_reopen. If `applied`, it took place nevertheless: the outcome that is not known.
 * nth 0: none. */
void pw_memory_fail_commit(pw_store *store, uint64_t nth, bool applied);

/* Another handle on the same data, for another node: opened and closed, broken and opened again by
 * itself. The last one closed frees the data; counts are of all. From now on no handle is
 * exclusive: share before the first engine is opened. */
PAWL_CHECK pawl_code pw_memory_share(pw_store *of, pw_store **out, pawl_error *err);

/* The store's own clock, by which leases end, for all handles: milliseconds. It is called under the
 * store's lock. NULL: the system's. */
void pw_memory_set_clock(pw_store *store, int64_t (*now_ms)(void *context), void *context);

/* While `cut_off`, beats, takes and gives of this handle answer PAWL_IO and change nothing. */
void pw_memory_cut_off(pw_store *store, bool cut_off);
#endif
