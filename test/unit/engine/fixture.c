/* fixture.c - helpers of the engine's tests. */
#include <limits.h>
#include <time.h>
#include "fixture.h"

/* ------------------------------------------------------------------ gates */

void gate_init(gate *g)
{
    memset(g, 0, sizeof *g);
    (void)pthread_mutex_init(&g->lock, NULL);
    pawl_error err;
    EXPECT_OK(pw_condition_init(&g->changed, &err), err);
}

void gate_done(gate *g)
{
    (void)pthread_cond_destroy(&g->changed);
    (void)pthread_mutex_destroy(&g->lock);
}

void gate_open(gate *g, unsigned permits)
{
    (void)pthread_mutex_lock(&g->lock);
    g->permits = permits == UINT_MAX ? UINT_MAX : g->permits + permits;
    (void)pthread_cond_broadcast(&g->changed);
    (void)pthread_mutex_unlock(&g->lock);
}

void gate_wait_entered(gate *g, unsigned runs)
{
    uint64_t deadline = pw_monotonic_ns() + WAIT_MS * 1000000ull;
    (void)pthread_mutex_lock(&g->lock);
    while (g->entered < runs && pw_condition_wait(&g->changed, &g->lock, deadline))
        ;
    unsigned entered = g->entered;
    (void)pthread_mutex_unlock(&g->lock);
    if (entered < runs)
        fail_msg("%u runs began, not %u", entered, runs);
}

unsigned gate_entered(gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    unsigned entered = g->entered;
    (void)pthread_mutex_unlock(&g->lock);
    return entered;
}

pawl_code gate_run(pawl_activity *activity, const char *input, void *context)
{
    (void)input;
    gate *g = context;
    (void)pthread_mutex_lock(&g->lock);
    if (g->entered < PW_LENGTH(g->keys)) {
        (void)snprintf(g->keys[g->entered], sizeof g->keys[0], "%s",
                       pawl_activity_idempotency_key(activity));
        g->attempts[g->entered] = pawl_activity_attempt(activity);
    }
    g->entered++;
    (void)pthread_cond_broadcast(&g->changed);
    while (g->permits == 0 &&
           !pawl_activity_cancelled(activity)) /* nothing wakes us when cancelled */
        (void)pw_condition_wait(&g->changed, &g->lock, pw_monotonic_ns() + 2000000u);
    bool let_go = g->permits > 0;
    if (let_go && g->permits != UINT_MAX)
        g->permits--;
    g->left++;
    (void)pthread_cond_broadcast(&g->changed);
    (void)pthread_mutex_unlock(&g->lock);
    if (!let_go)
        return pawl_activity_fail(activity, 499, "cancelled", NULL);
    char text[160];
    (void)snprintf(text, sizeof text, "{\"key\":\"%s\",\"attempt\":%u}",
                   pawl_activity_idempotency_key(activity), pawl_activity_attempt(activity));
    return pawl_activity_return(activity, text, NULL);
}

pawl_code echo_run(pawl_activity *activity, const char *input, void *context)
{
    (void)context;
    return pawl_activity_return(activity, input, NULL);
}

pawl_code failing_run(pawl_activity *activity, const char *input, void *context)
{
    (void)input;
    (void)context;
    return pawl_activity_fail(activity, 422, "no luck", "it fails always");
}

/* ------------------------------------------------------------------ engines */

static uint64_t fixture_now(void *clock)
{
    fixture *f = clock;
    uint64_t now = atomic_load(&f->now_ms);
    if (now)
        return now;
    struct timespec real;
    (void)clock_gettime(CLOCK_REALTIME, &real);
    return (uint64_t)real.tv_sec * 1000u + (uint64_t)real.tv_nsec / 1000000u;
}

void fixture_init(fixture *f, const char *store)
{
    memset(f, 0, sizeof *f);
    gate_init(&f->gate);
    if (store)
        (void)snprintf(f->store, sizeof f->store, "%s", store);
    else
        (void)snprintf(f->store, sizeof f->store, "%.400s/pawl.db", pw_test_dir());
    static const char *const names[] = { "gate", "echo", "failing" };
    static const pawl_activity_fn functions[] = { gate_run, echo_run, failing_run };
    for (size_t i = 0; i < PW_LENGTH(f->activities); i++)
        f->activities[i] = (pawl_activity_options){ .struct_size = sizeof f->activities[i],
                                                    .name = names[i],
                                                    .run = functions[i],
                                                    .context = &f->gate };
    f->options = test_options();
    f->options.store = f->store;
    f->options.step_threads = 2;
    f->options.activity_threads = 4;
    f->options.activities = f->activities;
    f->options.activity_count = PW_LENGTH(f->activities);
    f->options.now_ms = fixture_now;
    f->options.clock = f;
}

void fixture_open(fixture *f)
{
    EXPECT_OK(pawl_open(&f->p, &f->options, &f->err), f->err);
}

void fixture_close(fixture *f)
{
    pawl_close(f->p);
    f->p = NULL;
}

void fixture_done(fixture *f)
{
    fixture_close(f);
    gate_done(&f->gate);
}

void fixture_clock(fixture *f, uint64_t now_ms)
{
    atomic_store(&f->now_ms, now_ms);
    if (f->p)
        pw_engine_clock_moved(f->p);
}

/* ------------------------------------------------------------------ workflows */

void deploy(fixture *f, const char *name, const char *body)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_printf(&buf,
                  "document: {dsl: 1.0.0, namespace: test, name: %s, version: 1.0.0}\ndo:\n%s\n",
                  name, body);
    EXPECT_OK(pawl_deploy(f->p, buf.ptr, buf.len, NULL, NULL, NULL, &f->err), f->err);
    pw_buf_done(&buf);
}

char *start_key(fixture *f, const char *name, const char *key, const char *input, int *existed)
{
    char *id = NULL;
    const pawl_start_options options = {
        .struct_size = sizeof options, .name = name, .key = key, .input = input
    };
    EXPECT_OK(pawl_start(f->p, &options, &id, existed, &f->err), f->err);
    return id;
}

char *start(fixture *f, const char *name, const char *input)
{
    return start_key(f, name, NULL, input, NULL);
}

char *finish(fixture *f, const char *id)
{
    char *text = NULL;
    EXPECT_OK(pawl_wait(f->p, id, PAWL_WAIT_END, WAIT_MS, &text, &f->err), f->err);
    return text;
}

char *show(fixture *f, const char *id)
{
    char *text = NULL;
    EXPECT_OK(pawl_show(f->p, id, &text, &f->err), f->err);
    return text;
}

char *steps(fixture *f, const char *id)
{
    char *text = NULL;
    EXPECT_OK(pawl_log(f->p, id, 1, 0, &text, &f->err), f->err);
    return text;
}

static void keep_first(void *context, const char *json)
{
    char *into = context;
    if (!into[0])
        (void)snprintf(into, 4096, "%s", json);
}

const char *ask(const char *json, const char *expression)
{
    static _Thread_local char answer[4096];
    answer[0] = '\0';
    pawl_error err;
    EXPECT_OK(pawl_eval(expression, json, NULL, keep_first, answer, &err), err);
    return answer;
}

/* ------------------------------------------------------------------ many threads */

typedef struct member {
    crew *crew;
    unsigned number;
} member;

static void *run_member(void *context)
{
    const member *m = context;
    (void)pthread_barrier_wait(&m->crew->barrier);
    m->crew->run(m->crew->context, m->number);
    return NULL;
}

void crew_run(unsigned count, void (*run)(void *context, unsigned number), void *context)
{
    pthread_t threads[64];
    member members[64];
    EXPECT(count <= 64);
    crew c = { .count = count, .run = run, .context = context };
    (void)pthread_barrier_init(&c.barrier, NULL, count);
    for (unsigned i = 0; i < count; i++) {
        members[i] = (member){ &c, i };
        EXPECT_INT(pthread_create(&threads[i], NULL, run_member, &members[i]), 0);
    }
    for (unsigned i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_barrier_destroy(&c.barrier);
}
