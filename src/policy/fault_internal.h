/* fault_internal.h - what the files of the fault handler know of each other. */
#ifndef PW_FAULT_INTERNAL_H
#define PW_FAULT_INTERNAL_H

#include "policy/fault.h"

/* The recommended action of a result whose other members are set. */
pw_str pw_fault_action(const pw_fault_policy *policy, const pw_fault_facts *facts,
                       const pw_fault_result *result, pw_arena *arena);
#endif
