/* options.h - how tests open a pawl. Their services are on this machine, so loopback is allowed; and what fails is not tried
 * again, so that a test sees its first error; only an attempt that is lost with its process is. A test about attempts says
 * how many: test_retries(). */
#ifndef PW_TEST_OPTIONS_H
#define PW_TEST_OPTIONS_H

#include <pawl/pawl.h>

/* Nothing but what was lost is tried again. */
#define TEST_ONCE                                                                                  \
    "{\"activity:connection\":\"incident\",\"activity:timeout\":\"incident\","                     \
    "\"activity:throttled\":\"incident\",\"activity:server-error\":\"incident\","                  \
    "\"activity:client-error\":\"incident\",\"activity:malformed-answer\":\"incident\","           \
    "\"activity:store-unavailable\":\"incident\",\"activity:other\":\"incident\","                 \
    "\"external-call:connection\":\"incident\",\"external-call:timeout\":\"incident\","            \
    "\"external-call:throttled\":\"incident\",\"external-call:server-error\":\"incident\","        \
    "\"external-call:store-unavailable\":\"incident\",\"external-call:other\":\"incident\"}"

/* So many retries, 1 ms apart at most. The caller keeps it until the open. */
static inline pawl_resilience test_retries(uint32_t retries)
{
    pawl_resilience resilience = pawl_resilience_default();
    resilience.retries = resilience.call_retries = retries;
    resilience.base_delay_ms = resilience.max_delay_ms = 1;
    resilience.call_base_delay_ms = resilience.call_max_delay_ms = 1;
    return resilience;
}

static inline pawl_options test_options(void)
{
    static _Thread_local pawl_resilience once; /* for as long as whoever opens is there */
    once = test_retries(3);
    once.faults = TEST_ONCE;
    pawl_options options = pawl_options_default();
    options.resilience = &once;
    options.egress_allow = "loopback";
    options.slow_query_ms = 600000; /* a machine that is slow for a moment says nothing that a test did not ask for */
    return options;
}
#endif
