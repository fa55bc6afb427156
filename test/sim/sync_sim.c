/* sync_sim.c - sync.h of the engine, played: its threads are coroutines, its clock is the node's,
 * its chance comes from the seed. pawl-sim links this in place of src/engine/sync.c. */
#include "sim.h"
#include "policy/retry.h" /* pw_seed_next */

enum { SPURIOUS = 5 }; /* of a thousand waits wake for nothing, as POSIX allows */

uint64_t pw_monotonic_ns(void)
{
    return sim_monotonic_ns(sim_self());
}

uint64_t pw_boot_ns(void) /* its machines never sleep */
{
    return pw_monotonic_ns();
}

/* ------------------------------------------------------------------ conditions */

pawl_code pw_condition_init(pthread_cond_t *cond, pawl_error *err)
{
    (void)err;
    memset(cond, 0, sizeof *cond);
    return PAWL_OK;
}

void pw_condition_done(pthread_cond_t *cond)
{
    (void)cond;
}

void pw_condition_wake(pthread_cond_t *cond)
{
    if (sim_settings.plant != SIM_PLANT_LOST_WAKE || !sim_chance(SIM_SCHEDULE, 3))
        sim_wake(cond);
}

bool pw_condition_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline_ns)
{
    sim_node *node = sim_self();
    PW_ASSERT(node != NULL);
    (void)pthread_mutex_unlock(lock);
    bool woken = true;
    if (sim_chance(SIM_SCHEDULE, SPURIOUS))
        sim_yield();
    else
        woken = sim_wait(cond, sim_true_ns(node, deadline_ns));
    (void)pthread_mutex_lock(lock);
    /* the two clocks are converted with an error of less than a microsecond */
    return woken || sim_monotonic_ns(node) < deadline_ns;
}

/* ------------------------------------------------------------------ threads */

typedef struct start {
    void (*run)(void *context);
    void *context;
} start;

static void run_thread(void *context)
{
    start s = *(start *)context;
    pw_free(context);
    s.run(s.context);
}

pawl_code pw_thread_start(pw_thread *thread, const char *name, void (*run)(void *context),
                          void *context, pawl_error *err)
{
    start *s = pw_zalloc(sizeof *s);
    if (!s)
        return pw_no_memory(err);
    *s = (start){ run, context };
    sim_thread made = sim_spawn(sim_self(), sim_copy(pw_str_of(name)), run_thread, s);
    static_assert(sizeof made <= sizeof thread->id, "a thread's id has room for it");
    memcpy(&thread->id, &made, sizeof made);
    thread->started = true;
    return PAWL_OK;
}

void pw_thread_join(pw_thread *thread)
{
    if (!thread->started)
        return;
    sim_thread made = 0;
    memcpy(&made, &thread->id, sizeof made);
    sim_join(made);
    thread->started = false;
}

/* ------------------------------------------------------------------ chance */

pawl_code pw_random(void *out, size_t size, pawl_error *err)
{
    (void)err;
    sim_node *node = sim_self();
    uint8_t *bytes = out;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(pw_seed_next(&node->random) >> 56);
    return PAWL_OK;
}

/* ------------------------------------------------------------------ fault points */

void pw_fault_point(const char *name)
{
    sim_point(name);
}
