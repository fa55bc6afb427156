/* schedule.c - when the next instance of a workflow starts. */
#include "core/step.h"

void pw_schedule_begin(pw_step *step, pw_frame *frame)
{
    pw_flow_raise(step, frame,
                  pw_problem(step, frame, "configuration", 400, "not supported", "not in this release"));
}

void pw_schedule_heard(pw_step *step, pw_frame *frame, pw_value messages)
{
    (void)messages;
    pw_schedule_begin(step, frame);
}
