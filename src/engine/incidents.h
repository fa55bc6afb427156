/* incidents.h - what people see of faults: incidents, and the calls of an instance to services. */
#ifndef PW_INCIDENTS_H
#define PW_INCIDENTS_H

#include "core/program.h"
#include "engine/mailbox.h"
#include "store/store.h"

/* What an id names: an instance, or an incident of it: "INSTANCE-STEP". */
typedef struct pw_incident_name {
    pw_str instance;
    uint64_t step; /* 0: of no incident */
} pw_incident_name;
/* PAWL_NOT_FOUND (no-such-instance): it can be neither. */
PAWL_CHECK pawl_code pw_incident_name_read(pw_incident_name *out, const char *id, pawl_error *err);

/* Retries, fails or cancels the instance if the incident is still open, at the token with which that was seen. `send` carries
 * out the command and gives what came of it. */
PAWL_CHECK pawl_code pw_incident_change(pawl *p, const pw_command *command, const pw_incident_name *name,
                                        pawl_code (*send)(pawl *p, pw_command *command, char **out, pawl_error *err),
                                        char **out, pw_arena *arena, pawl_error *err);

/* For pawl_show: the open one, as {"id","task","type","class","recommendedAction","createdAt"}; PW_NONE: there is none. */
PAWL_CHECK pawl_code pw_incident_open(pawl *p, pw_str instance, pw_value *out, pw_arena *arena, pawl_error *err);

#endif
