/* breakers.c - the rows of circuit breakers. */
#include "engine/breakers.h"
#include "engine/engine.h"

pawl_code pawl_breakers(pawl *p, int all, char **out, pawl_error *err)
{
    (void)p, (void)all, (void)out;
    return pw_fail(err, PAWL_STATE, "breakers are not there yet");
}

pawl_code pawl_breaker_force(pawl *p, const char *service, const char *force, const char *reason,
                             const pawl_request *request, char **out, pawl_error *err)
{
    (void)p, (void)service, (void)force, (void)reason, (void)request, (void)out;
    return pw_fail(err, PAWL_STATE, "breakers are not there yet");
}
