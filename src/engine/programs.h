/* programs.h - compiled programs by (namespace, name, version), shared by all threads: a bounded
 * cache. */
#ifndef PW_PROGRAMS_H
#define PW_PROGRAMS_H

#include <pthread.h>
#include "core/program.h"
#include "store/store.h"

#define PW_PROGRAMS_MAX 256u

typedef struct pw_programs pw_programs;

PAWL_CHECK pawl_code pw_programs_new(pw_programs **out, pawl_error *err);
void pw_programs_free(pw_programs *programs);
/* The published program, one reference for the caller, and its status (may be NULL). Empty
 * namespace or version: as pw_store_definition_get, and remembered until the next deploy of this
 * process if `remember`. PAWL_CORRUPT: the stored document is none of this release. */
PAWL_CHECK pawl_code pw_programs_get(pw_programs *programs, pw_store *store, pw_str namespace_,
                                     pw_str name, pw_str version, bool remember, pw_program **out,
                                     pw_definition_status *status, pawl_error *err);
/* Something was deployed: "the newest" is asked for again. `status`: the status of a definition has
 * changed, so all of them are. */
void pw_programs_changed(pw_programs *programs, bool status);
#endif
