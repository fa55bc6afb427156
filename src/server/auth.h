/* auth.h - who asks, and what that identity may.
 *
 * An identity has roles, each in a namespace or in all of them ("*"). What a command needs, and
 * where, is a table (pw_command_about); here it is held against the roles. What is in a namespace
 * in which an identity has no role at all does not exist for it: the answer is the one for
 * something that is not there. */
#ifndef PW_AUTH_H
#define PW_AUTH_H

#include "base/json.h"
#include "server/problem.h"
#include "server/server.h"

typedef struct pw_identity {
    pw_str name;
    pw_value roles;  /* array of {"role","namespace"} */
    pw_value groups; /* array of strings, or PW_NONE */
} pw_identity;

/* By the value of the header Authorization (ptr NULL: none). False: 401, or trouble of the store.
 */
bool pw_identity_of_header(pw_identity *out, pawl *p, pw_str header, pw_arena *arena,
                           pw_problem *problem);
/* Where nobody is asked who he is: everything is allowed to "anonymous". */
pw_identity pw_identity_anonymous(pw_arena *arena);

/* The role, or one that includes it, in that namespace; ptr NULL: in all of them. PW_ROLE_ANY: any
 * role there. */
bool pw_identity_may(const pw_identity *identity, pw_role role, pw_str namespace_);
bool pw_identity_may_somewhere(const pw_identity *identity, pw_role role);
/* The namespaces in which it has the role; PW_NONE: all of them. */
pw_value pw_identity_namespaces(const pw_identity *identity, pw_role role, pw_arena *arena);
/* "viewer", ...; for people. */
const char *pw_role_name(pw_role role);

/* Where nobody is asked who he is, a page of the web in somebody's browser must not call. False: an
 * Origin (ptr NULL: none) is another than the Host; or, with `local_only`, the Host is no name of
 * this machine. */
bool pw_origin_allowed(pw_str host, pw_str origin, bool local_only);
/* "127.0.0.1:8080", "[::1]", "localhost:0": an address that only this machine reaches. */
bool pw_address_is_loopback(pw_str address);
#endif
