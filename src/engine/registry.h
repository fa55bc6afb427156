/* registry.h - the functions of this process, by name. Entries are never removed. */
#ifndef PW_REGISTRY_H
#define PW_REGISTRY_H

#include "base/base.h"

#define PW_FUNCTION_NAME_MAX 255u

typedef struct pw_registry pw_registry;

PAWL_CHECK pawl_code pw_registry_new(pw_registry **out, pawl_error *err);
void pw_registry_free(pw_registry *registry);
/* Copies. PAWL_INVALID: no name or function, or of an older caller that says no size.
 * PAWL_CONFLICT: taken. */
PAWL_CHECK pawl_code pw_registry_add(pw_registry *registry, const pawl_activity_options *options,
                                     pawl_error *err);
bool pw_registry_find(pw_registry *registry, pw_str name,
                      pawl_activity_options *out); /* out may be NULL */
#endif
