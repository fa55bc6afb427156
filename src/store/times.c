/* times.c - how long the operations of a store take, and which take too long. */
#include "store/store_internal.h"
#include "watch/log.h"

#define US_PER_MS 1000u

const char *pw_store_operation_name(pw_store_operation operation)
{
#define OPERATION_WORD(name, word) word,
    static const char *const words[] = { PW_STORE_OPERATIONS(OPERATION_WORD) };
#undef OPERATION_WORD
    return words[operation];
}

pw_store_times *pw_store_times_of(pw_store *store)
{
    return &store->times;
}

void pw_store_pool_look(pw_store *store, pw_store_pool *out)
{
    *out = (pw_store_pool){ .size = 0 };
    store->ops->pool(store, out);
}

pw_store_timing pw_store_timing_begin(pw_store *store, pw_store_operation operation)
{
    return (pw_store_timing){ &store->times, operation, pw_metrics_clock_ns() };
}

/* The path is not said: a line of the log has no more than it needs. */
void pw_store_timing_end(pw_store_timing *timing)
{
    pw_store_times *times = timing->times;
    const uint64_t us = (pw_metrics_clock_ns() - timing->begun_ns) / 1000;
    const uint64_t slow_ms = atomic_load_explicit(&times->slow_ms, memory_order_relaxed);
    pw_histogram_add(&times->took[timing->operation], us);
    if (!slow_ms || us / US_PER_MS < slow_ms)
        return;
    atomic_fetch_add_explicit(&times->slow[timing->operation], 1, memory_order_relaxed);
    PW_LOG(PW_LOG_WARNING, "store", "store.slow", "an operation of the store took %llu ms: %s", (unsigned long long)(us / US_PER_MS),
           pw_store_operation_name(timing->operation));
}
