/* listen.c - messages that an instance waits for. */
#include "core/step.h"

void pw_listen_begin(pw_step *step, pw_frame *frame)
{
    pw_flow_raise(step, frame,
                  pw_problem(step, frame, "configuration", 400, "not supported", "not in this release"));
}

void pw_listen_open(pw_step *step, pw_frame *frame, const pw_listen *listen)
{
    (void)listen;
    pw_flow_raise(step, frame,
                  pw_problem(step, frame, "configuration", 400, "not supported", "not in this release"));
}
