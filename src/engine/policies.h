/* policies.h - what is done about failures: pawl_resilience of the options, checked, as the rooms take it. */
#ifndef PW_POLICIES_H
#define PW_POLICIES_H

#include <pawl/pawl.h>
#include "core/core.h"

typedef struct pw_policies {
    pawl_resilience given;    /* whole, whatever its caller knew of it; its texts are NULL */
    pw_fault_policy faults;   /* with the retries in it */
    pw_on_unknown on_unknown;
} pw_policies;

/* `given` NULL: the defaults; members that its struct_size leaves out have theirs. PAWL_INVALID names the member. */
PAWL_CHECK pawl_code pw_policies_read(pw_policies *out, const pawl_resilience *given, pawl_error *err);
#endif
