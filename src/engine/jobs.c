/* jobs.c - work for programs outside: handed out, answered. */
#include "engine/engine.h"

pawl_code pawl_jobs_poll(pawl *p, const pawl_poll_options *options, char **out, pawl_error *err)
{
    (void)p, (void)options, (void)out;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

pawl_code pawl_poll_open(pawl_poll **out, pawl *p, const pawl_poll_options *options, pawl_jobs_fn on_jobs, void *context, pawl_error *err)
{
    (void)out, (void)p, (void)options, (void)on_jobs, (void)context;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

void pawl_poll_close(pawl_poll *poll)
{
    (void)poll;
}

pawl_code pawl_job_complete(pawl *p, const char *token, const char *result, const pawl_request *request, char **out, pawl_error *err)
{
    (void)p, (void)token, (void)result, (void)request, (void)out;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

pawl_code pawl_job_fail(pawl *p, const char *token, const pawl_job_failure *failure, const pawl_request *request, char **out, pawl_error *err)
{
    (void)p, (void)token, (void)failure, (void)request, (void)out;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

pawl_code pawl_job_heartbeat(pawl *p, const char *token, uint64_t lease_ms, const char *progress, char **out, pawl_error *err)
{
    (void)p, (void)token, (void)lease_ms, (void)progress, (void)out;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

pawl_code pawl_jobs(pawl *p, const pawl_jobs_options *options, char **out, pawl_error *err)
{
    (void)p, (void)options, (void)out;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

pawl_code pawl_job_limit(pawl *p, const char *function, uint32_t at_once, double per_second, pawl_error *err)
{
    (void)p, (void)function, (void)at_once, (void)per_second;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}
