/* schedules.h - one living schedule for each definition that has one: of its newest published version. */
#ifndef PW_SCHEDULES_H
#define PW_SCHEDULES_H

#include "store/store.h"

typedef struct pw_schedules pw_schedules;

PAWL_CHECK pawl_code pw_schedules_new(pw_schedules **out, pawl *p, pawl_error *err);
void pw_schedules_free(pw_schedules *schedules); /* NULL is fine */
/* Of one name: starts what should live and does not, and cancels the others. Harmless when repeated. *id: of the
 * living one, in `arena`; empty: none. What fails is tried again by the recovery. */
PAWL_CHECK pawl_code pw_schedules_keep(pw_schedules *schedules, pw_str namespace_, pw_str name, pw_str *id,
                                       pw_arena *arena, pawl_error *err);
/* The same; what fails is told to nobody, and tried again. */
void pw_schedules_changed(pw_schedules *schedules, pw_str namespace_, pw_str name);
/* Of all names, if it is the first time, or something failed, or (`others`) another node may have deployed. For
 * the recovery. False: not everything could be done. */
bool pw_schedules_check(pw_schedules *schedules, bool others);
#endif
