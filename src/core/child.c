/* child.c - instances that start others, and wait for them. */
#include "core/step.h"

void pw_child_begin(pw_step *step, pw_frame *frame)
{
    pw_flow_raise(step, frame,
                  pw_problem(step, frame, "configuration", 400, "not supported", "not in this release"));
}
