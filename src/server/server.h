/* server.h - commands from other processes: what there is, who may, how they are carried out, and how they travel. */
#ifndef PW_SERVER_H
#define PW_SERVER_H

#include "base/base.h"

#define PW_CONTROL_REQUEST_MAX ((size_t)16 << 20) /* bytes of one request */
#define PW_CONTROL_ANSWER_MAX ((size_t)256 << 20)
#define PW_CONTROL_CONNECTIONS 16u /* at once; more wait in line */

/* True: whoever asked is gone, or we are closing: stop waiting. */
typedef bool (*pw_stop_fn)(void *context);

/* pawl_command, but a long wait asks `stop` (may be NULL) at most four times a second. */
PAWL_CHECK pawl_code pw_command_execute(pawl *p, pw_str request, pw_stop_fn stop, void *context,
                                        char **answer, pawl_error *err);

/* ------------------------------------------------------------------ who may ask for what */

/* The least that an identity must have where the command reaches. Admin includes operator, that starter, that viewer; worker
 * stands alone. */
typedef enum pw_role { PW_ROLE_ANY, PW_ROLE_VIEWER, PW_ROLE_WORKER, PW_ROLE_STARTER, PW_ROLE_OPERATOR, PW_ROLE_ADMIN } pw_role;

/* Where it reaches, and so in which namespace the role is needed. */
typedef enum pw_scope {
    PW_SCOPE_NONE,       /* nothing that is stored: in any namespace */
    PW_SCOPE_INSTANCE,   /* that of the instance: member "id" */
    PW_SCOPE_DEFINITION, /* that of the definition: member "name", "name" or "namespace/name" */
    PW_SCOPE_JOB,        /* that of the job's instance: member "token" */
    PW_SCOPE_LIST,       /* those that member "namespaces" names, an array: the command keeps to them; absent: all */
    PW_SCOPE_STORE,      /* all: in "*" */
} pw_scope;

typedef struct pw_command_about {
    const char *name;
    pw_role role;
    pw_scope scope;
    bool own;     /* with any role there at all it may be asked with "restricted", and does then what is the actor's own */
    bool changes; /* it may change what is stored */
} pw_command_about;

/* NULL: there is no such command. */
const pw_command_about *pw_command_find(pw_str name);
/* All of them, in no particular order; NULL behind the last. */
const pw_command_about *pw_command_at(size_t at);
/* Members that every command knows beside its own: they say who asks, and how (pawl_request). */
bool pw_command_request_member(pw_str name);
#endif
