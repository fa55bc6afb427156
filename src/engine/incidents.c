/* incidents.c - what people see of faults: incidents, and the calls of an instance. */
#include "engine/engine.h"

pawl_code pawl_incidents(pawl *p, const pawl_incidents_options *options, char **out, pawl_error *err)
{
    (void)p, (void)options, (void)out;
    return pw_fail(err, PAWL_STATE, "incidents are not there yet");
}

pawl_code pawl_incident(pawl *p, const char *id, char **out, pawl_error *err)
{
    (void)p, (void)id, (void)out;
    return pw_fail(err, PAWL_STATE, "incidents are not there yet");
}

pawl_code pawl_calls(pawl *p, const char *id, char **out, pawl_error *err)
{
    (void)p, (void)id, (void)out;
    return pw_fail(err, PAWL_STATE, "calls are not there yet");
}
