/* cleanup.h - deletes what is old, a little at a time: whoever works comes first. */
#ifndef PW_CLEANUP_H
#define PW_CLEANUP_H

#include "engine/background.h"
#include "store/store.h"

typedef struct pw_cleanup pw_cleanup;

/* PAWL_INVALID: settings that cannot be. */
PAWL_CHECK pawl_code pw_cleanup_new(pw_cleanup **out, pawl *p, const pawl_cleanup_settings *settings, pawl_error *err);
PAWL_CHECK pawl_code pw_cleanup_start(pw_cleanup *cleanup, pawl_error *err); /* its thread, unless it is switched off */
void pw_cleanup_wake(pw_cleanup *cleanup); /* a run now: there is no room. NULL is fine */
void pw_cleanup_stop(pw_cleanup *cleanup); /* ends what it does, after its transaction. NULL, or not started: nothing */
void pw_cleanup_free(pw_cleanup *cleanup); /* NULL is fine */
pw_background *pw_cleanup_background(pw_cleanup *cleanup); /* NULL: not started */
/* Of an instance that has been cleaned up there is no state: PAWL_NOT_FOUND, and it says so. */
PAWL_CHECK pawl_code pw_cleanup_check_whole(const pw_instance_row *row, pawl_error *err);
#endif
