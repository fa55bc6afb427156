/* memory.h - the store in memory: what tests and the simulation may ask of it besides store.h. */
#ifndef PW_MEMORY_H
#define PW_MEMORY_H

#include "store/store.h"

/* The nth commit of steps from now (1: the next) answers PAWL_IO, as do all after it until
 * pw_store_reopen. If `applied`, it took place nevertheless: the outcome that is not known. nth 0:
 * none. Only for a store in memory. */
void pw_memory_fail_commit(pw_store *store, uint64_t nth, bool applied);
#endif
