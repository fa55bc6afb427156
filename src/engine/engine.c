/* engine.c - opening and closing, and what the parts share.
 *
 * Closing goes against the stream, so that nobody is left with a message for somebody who is gone:
 * bulk operations, recovery and router first, then the shards once their last transitions are committed, then the committer,
 * the drivers, the leases, and the store. What was in flight is dropped without an outcome: the
 * next open, or the next owner, repeats it with the same key. */
#include <time.h>
#include <unistd.h>
#include "engine/engine.h"

enum {
    ACTIVITY_THREADS_MAX = 1024,
    HTTP_IN_FLIGHT_MAX = 100000,
    EXPRESSION_MEMORY_MAX = 1 << 30,
    CHECK_MAX_MS = 86400000,
    TIMER_BATCH_MAX = 10000,
    JOB_LEASE_MAX_MS = 3600000,
    HTTP_RESPONSE_MAX = 1 << 30,
    HTTP_REDIRECTS_MAX = 100,
    SLOW_QUERY_MS = 1000,
};

static uint64_t system_clock_ms(void *clock)
{
    (void)clock;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

int64_t pw_engine_now(const pawl *p)
{
    uint64_t now = p->now_ms(p->clock);
    return now > INT64_MAX ? INT64_MAX : (int64_t)now;
}

bool pw_engine_timers_off(const pawl *p)
{
    return p->services_off & PAWL_SERVICE_TIMERS;
}

bool pw_engine_due(const pawl *p, int64_t at_ms)
{
    return at_ms != PW_WAKE_NEVER && !pw_engine_timers_off(p) && at_ms <= pw_engine_now(p);
}

const char *pawl_store(const pawl *p)
{
    if (!p)
        return "";
    pw_str path = pw_store_path(p->store);
    return path.len > 0 ? path.ptr : "";
}

pw_shard *pw_engine_shard_of(pawl *p, pw_str id)
{
    return p->shards[pw_store_partition(id) % p->shard_count];
}

void pw_engine_busy(pawl *p, bool more)
{
    if (more) {
        atomic_fetch_add(&p->busy, 1);
        return;
    }
    if (atomic_fetch_sub(&p->busy, 1) != 1)
        return;
    (void)pthread_mutex_lock(&p->lock); /* whoever looked before waits by now */
    pw_condition_wake(&p->quiet);
    (void)pthread_mutex_unlock(&p->lock);
}

bool pw_engine_degraded(pawl *p, pawl_error *err)
{
    if (!atomic_load(&p->degraded))
        return false;
    (void)pthread_mutex_lock(&p->lock);
    bool degraded = atomic_load(&p->degraded);
    if (degraded && err)
        *err = p->health;
    (void)pthread_mutex_unlock(&p->lock);
    return degraded;
}

static void on_health(void *context, pawl_code code, const pawl_error *err)
{
    pawl *p = context;
    (void)pthread_mutex_lock(&p->lock);
    if (code != PAWL_OK)
        p->health = *err;
    atomic_store(&p->degraded, code != PAWL_OK);
    pw_condition_wake(&p->quiet);
    (void)pthread_mutex_unlock(&p->lock);
    if (code != PAWL_OK)
        PW_LOG(PW_LOG_ERROR, "store", "store.failing", "the store fails, nothing is committed: %s", err->message);
    else
        PW_LOG(PW_LOG_INFO, "store", "store.works", "the store works again");
    for (uint32_t i = 0; i < p->shard_count && code != PAWL_OK; i++)
        pw_mailbox_signal(&p->shards[i]->mailbox, PW_SIGNAL_DEGRADED);
    if (code == PAWL_OK)
        pw_recovery_wake(p->recovery);
}

static bool has_room(void *context)
{
    pawl *p = context;
    pw_disk_wake(p->disk);
    return pw_disk_has_room(p->disk);
}

void pw_engine_set_trouble(pawl *p, pw_str id, const pawl_error *error)
{
    pw_trouble *fresh = error->code != PAWL_OK ? pw_zalloc(sizeof *fresh) : NULL;
    (void)pthread_mutex_lock(&p->lock);
    pw_trouble **at = &p->troubles;
    while (*at && memcmp((*at)->id, id.ptr, PW_ID_LENGTH) != 0)
        at = &(*at)->next;
    pw_trouble *old = *at;
    if (error->code == PAWL_OK && old) {
        *at = old->next;
    } else if (error->code != PAWL_OK && old) {
        old->error = *error;
        old = fresh;
    } else if (fresh) { /* without memory only the reason is not shown */
        memcpy(fresh->id, id.ptr, PW_ID_LENGTH);
        fresh->error = *error;
        fresh->next = p->troubles;
        p->troubles = fresh;
    }
    (void)pthread_mutex_unlock(&p->lock);
    pw_free(old);
}

bool pw_engine_trouble(pawl *p, pw_str id, pawl_error *out)
{
    (void)pthread_mutex_lock(&p->lock);
    const pw_trouble *t = p->troubles;
    while (t && (id.len != PW_ID_LENGTH || memcmp(t->id, id.ptr, PW_ID_LENGTH) != 0))
        t = t->next;
    if (t)
        *out = t->error;
    (void)pthread_mutex_unlock(&p->lock);
    return t != NULL;
}

pawl_code pw_engine_may_write(pawl *p, pawl_error *err)
{
    if (!p)
        return pw_fail(err, PAWL_INVALID, "the pawl is NULL");
    if (p->mode != PAWL_OWN)
        return pw_fail(
            err, PAWL_INVALID,
            "this pawl was opened with PAWL_READ, to look only; open it with PAWL_OWN, or "
            "send the command to the owner");
    if (atomic_load(&p->closing))
        return pw_fail(err, PAWL_BUSY, "closing");
    return PAWL_OK;
}

pawl_code pw_options_take(void *out, size_t size, const void *given, bool required, const char *what, pawl_error *err)
{
    size_t known = 0;
    memset(out, 0, size);
    if (!given)
        return required ? pw_fail(err, PAWL_INVALID, "%s is missing", what) : PAWL_OK;
    memcpy(&known, given, sizeof known); /* struct_size is the first member of each */
    if (known == 0)
        return pw_fail(err, PAWL_INVALID, "%s: struct_size is 0; set it to sizeof(%s)", what, what);
    memcpy(out, given, known < size ? known : size);
    return PAWL_OK;
}

pawl_code pw_because(pawl_error *err, pawl_code code, pawl_code when, pawl_reason reason)
{
    if (code == when && err && err->reason == PAWL_REASON_NONE)
        err->reason = reason;
    return code;
}

void pw_engine_clock_moved(pawl *p)
{
    pw_recovery_wake(p->recovery);
    pw_leases_wake(p->leases);
    pw_http_wake(p->http);
    pw_bulks_wake(p->bulks);
    pw_outbox_wake(p->outbox);
    for (uint32_t i = 0; i < p->shard_count; i++)
        pw_mailbox_signal(&p->shards[i]->mailbox, PW_SIGNAL_CLOCK);
}

/* ------------------------------------------------------------------ answers of the drivers */

static void on_call(void *context, pw_http_call *call)
{
    pawl *p = context;
    pw_count_call(p->counts, call);
    pw_mailbox_call(&pw_engine_shard_of(p, call->instance)->mailbox, call);
}

static void on_breaker(void *context, const pw_breaker_record *want)
{
    pawl *p = context;
    if (want->state == PW_BREAKER_OPEN)
        pw_count_breaker_opened(p->counts, want->service);
    pw_breakers_wish(p->breakers, want);
}

static void on_job(void *context, pw_job *job)
{
    pawl *p = context;
    if (job->end != PW_JOB_CANCELLED)
        pw_count_ran(p->counts, pw_str_of(job->activity.name), job->asked_ns);
    pw_mailbox_job(&pw_engine_shard_of(p, job->instance)->mailbox, job);
}

/* ------------------------------------------------------------------ open */

static pawl_code read_options(pawl_options *out, const pawl_options *given, pawl_error *err)
{
    if (!given || given->struct_size == 0)
        return pw_fail(err, PAWL_INVALID,
                       "options: struct_size is 0; begin with pawl_options_default()");
    *out = (pawl_options){ .struct_size = sizeof *out };
    size_t known = given->struct_size < sizeof *out ? given->struct_size : sizeof *out;
    memcpy(out, given, known);
    if (!out->store || !out->store[0])
        return pw_fail(err, PAWL_INVALID,
                       "options: store is missing; \"sqlite:PATH\", a path, or \"memory:\"");
    if (out->mode != PAWL_OWN && out->mode != PAWL_READ)
        return pw_fail(err, PAWL_INVALID, "options: mode must be PAWL_OWN or PAWL_READ, not %d",
                       (int)out->mode);
    if (out->step_threads > PW_SHARDS_MAX)
        return pw_fail(err, PAWL_INVALID, "options: step_threads must be at most %u, not %u",
                       PW_SHARDS_MAX, out->step_threads);
    if (out->activity_threads > ACTIVITY_THREADS_MAX)
        return pw_fail(err, PAWL_INVALID, "options: activity_threads must be at most %d, not %u",
                       ACTIVITY_THREADS_MAX, out->activity_threads);
    if (out->http_in_flight > HTTP_IN_FLIGHT_MAX)
        return pw_fail(err, PAWL_INVALID, "options: http_in_flight must be at most %d, not %u",
                       HTTP_IN_FLIGHT_MAX, out->http_in_flight);
    if (out->expression_memory > EXPRESSION_MEMORY_MAX)
        return pw_fail(err, PAWL_INVALID, "options: expression_memory must be at most %d, not %llu",
                       EXPRESSION_MEMORY_MAX, (unsigned long long)out->expression_memory);
    if (out->job_lease_ms > JOB_LEASE_MAX_MS)
        return pw_fail(err, PAWL_INVALID, "options: job_lease_ms must be at most %d, not %llu",
                       JOB_LEASE_MAX_MS, (unsigned long long)out->job_lease_ms);
    if (out->check_ms > CHECK_MAX_MS)
        return pw_fail(err, PAWL_INVALID, "options: check_ms must be at most %d, a day, not %llu", CHECK_MAX_MS,
                       (unsigned long long)out->check_ms);
    if (out->timer_batch > TIMER_BATCH_MAX)
        return pw_fail(err, PAWL_INVALID, "options: timer_batch must be at most %d, not %u", TIMER_BATCH_MAX,
                       out->timer_batch);
    if (out->http_response_max > HTTP_RESPONSE_MAX)
        return pw_fail(err, PAWL_INVALID, "options: http_response_max must be at most %d, not %llu", HTTP_RESPONSE_MAX,
                       (unsigned long long)out->http_response_max);
    if (out->http_redirects > HTTP_REDIRECTS_MAX)
        return pw_fail(err, PAWL_INVALID, "options: http_redirects must be at most %d, not %u", HTTP_REDIRECTS_MAX,
                       out->http_redirects);
    if (out->activity_count > 0 && !out->activities)
        return pw_fail(err, PAWL_INVALID, "options: activity_count is %zu but activities is NULL",
                       out->activity_count);
    if (out->outbox_batch > PW_PAGE_MAX)
        return pw_fail(err, PAWL_INVALID, "options: outbox_batch must be at most %u, not %u", PW_PAGE_MAX, out->outbox_batch);
    if (out->outbox_ms > CHECK_MAX_MS)
        return pw_fail(err, PAWL_INVALID, "options: outbox_ms must be at most %d, a day, not %llu", CHECK_MAX_MS,
                       (unsigned long long)out->outbox_ms);
    pw_policies policies; /* looked at before the store is */
    return pw_policies_read(&policies, out->resilience, err);
}

static uint32_t count_shards(const pawl_options *options)
{
    if (options->step_threads)
        return options->step_threads;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > (long)PW_SHARDS_MAX ? PW_SHARDS_MAX : (uint32_t)cores;
}

/* ------------------------------------------------------------------ circuit breakers */

static pawl_code tell_breaker(void *context, const pw_breaker_record *record, bool ours, pawl_error *err)
{
    return pw_http_breaker_told(((pawl *)context)->http, record, ours, err);
}

static pawl_code list_services(void *context, pw_http_service **out, size_t *count, pw_arena *arena, pawl_error *err)
{
    return pw_http_services(((pawl *)context)->http, out, count, arena, err);
}

/* One clock for rows and driver: what is stored of a breaker is in its time. */
static int64_t driver_now(void *context)
{
    return pw_engine_now(context);
}

static void store_failed(void *context, const pawl_error *err)
{
    pw_committer_suspect(((pawl *)context)->committer, err);
}

/* Before the first call: what is stored holds from the beginning. */
static pawl_code start_breakers(pawl *p, uint64_t attempt_ms, pawl_error *err)
{
    const pw_breakers_options options = { .store = p->store,
                                          .node = pw_str_of(pw_leases_node(p->leases)),
                                          .alone = pw_leases_exclusive(p->leases),
                                          .probe_ms = attempt_ms <= UINT32_MAX ? 2 * attempt_ms : UINT32_MAX,
                                          .context = p,
                                          .tell = tell_breaker,
                                          .services = list_services,
                                          .now_ms = driver_now,
                                          .on_failure = store_failed };
    pawl_code code = pw_breakers_new(&p->breakers, &options, err);
    if (code == PAWL_OK)
        pw_http_on_breaker(p->http, on_breaker);
    return code;
}

/* ------------------------------------------------------------------ bulk operations */

static pawl_code act_in_bulk(void *context, const pawl_act_options *options, const pawl_request *request, pawl_error *err)
{
    return pawl_act(context, options, request, NULL, err);
}

static void bulk_busy(void *context, bool more)
{
    pw_engine_busy(context, more);
}

static void bulk_trouble(void *context, pw_str id, const pawl_error *err)
{
    pw_engine_set_trouble(context, id, err);
}

static pawl_code make_bulks(pawl *p, pawl_error *err)
{
    const pw_bulks_options options = { .store = p->store,
                                       .node = pw_str_of(pw_leases_node(p->leases)),
                                       .alone = pw_leases_exclusive(p->leases),
                                       .context = p,
                                       .act = act_in_bulk,
                                       .now_ms = driver_now,
                                       .on_failure = store_failed,
                                       .service = &p->services[PW_SERVICE_BULK],
                                       .busy = bulk_busy,
                                       .trouble = bulk_trouble };
    return pw_bulks_new(&p->bulks, &options, err);
}

/* ------------------------------------------------------------------ publishing */

static pawl_code start_outbox(pawl *p, const pawl_options *options, uint64_t seed, pawl_error *err)
{
    const pw_outbox_options outbox = { .store = p->store,
                                       .leases = p->leases,
                                       .engine = p,
                                       .sinks = options->sinks,
                                       .sink_count = options->sink_count,
                                       .batch = options->outbox_batch,
                                       .interval_ms = options->outbox_ms,
                                       .retries = options->outbox_retries,
                                       .base_delay_ms = p->resilience.base_delay_ms,
                                       .max_delay_ms = p->resilience.max_delay_ms,
                                       .seed = seed,
                                       .off = (p->services_off & PAWL_SERVICE_OUTBOX) != 0,
                                       .service = &p->services[PW_SERVICE_OUTBOX],
                                       .context = p,
                                       .now_ms = driver_now,
                                       .on_failure = store_failed };
    pawl_code code = pw_outbox_new(&p->outbox, &outbox, err);
    return code == PAWL_OK ? pw_outbox_start(p->outbox, err) : code;
}

static pw_http_options http_options(const pawl_options *options, const pawl_resilience *resilience)
{
    return (pw_http_options){
        .in_flight = options->http_in_flight,
        .per_host = resilience->calls_at_once,
        .timeout_ms = options->http_timeout_ms,
        .response_max = (size_t)options->http_response_max,
        .egress_map = options->egress_map,
        .egress_ca = options->egress_ca,
        .egress_allow = options->egress_allow,
        .proxy = options->http_proxy,
        .no_proxy = options->http_no_proxy,
        .insecure_tls = options->http_insecure_tls != 0,
        .client_certificate = options->http_client_certificate,
        .client_key = options->http_client_key,
        .redirects = options->http_redirects,
        .per_second = resilience->calls_per_second,
        .breaker = { .failures = resilience->breaker_failures,
                     /* a member that is 0 would be the driver's */
                     .throughput = resilience->breaker_throughput ? resilience->breaker_throughput : 1,
                     .window_ms = resilience->breaker_window_ms,
                     .break_ms = resilience->breaker_break_ms },
    };
}

static pawl_code start_tracer(pawl *p, const pawl_options *options, pawl_error *err)
{
    const pw_tracer_options tracer = { .endpoint = options->trace_endpoint,
                                       .headers = options->trace_headers,
                                       .ratio = options->trace_ratio == 0 ? 1 : options->trace_ratio };
    return pw_tracer_new(&p->tracer, &tracer, err);
}

/* What an owner has and a reader has not. */
static pawl_code start_owner(pawl *p, const pawl_options *options, const pw_node_options *node,
                             pawl_error *err)
{
    const uint8_t *entry = (const uint8_t *)options->activities;
    for (size_t i = 0; i < options->activity_count; i++) {
        /* an array of the caller's size of entry, which each entry states */
        const pawl_activity_options *activity = (const void *)entry;
        pawl_code code = pw_registry_add(p->registry, activity, err);
        if (code != PAWL_OK)
            return code;
        entry += activity->struct_size;
    }
    uint64_t seed;
    pawl_code code = pw_random(&seed, sizeof seed, err);
    if (code == PAWL_OK)
        code = pw_recovery_new(&p->recovery, p, err);
    if (code == PAWL_OK)
        code = pw_schedules_new(&p->schedules, p, err);
    uint32_t shards = count_shards(options);
    const pw_expr_limits limits = { .fuel = options->expression_fuel,
                                    .memory = (size_t)options->expression_memory };
    p->limits = limits;
    if (code == PAWL_OK)
        code = pw_router_new(&p->router, p, &limits, err);
    for (uint32_t i = 0; i < shards && code == PAWL_OK; i++) {
        code = pw_shard_new(&p->shards[i], p, i, pw_seed_next(&seed), &limits, err);
        if (code == PAWL_OK)
            p->shard_count++;
    }
    const pw_committer_hooks hooks = { .context = p, .on_health = on_health, .has_room = has_room };
    if (code == PAWL_OK)
        code = pw_committer_new(&p->committer, p->store, &hooks, err);
    pw_http_options http = http_options(options, &p->resilience);
    http.now_ms = driver_now;
    http.clock = p;
    if (code == PAWL_OK)
        code = pw_http_new(&p->http, &http, on_call, p, err);
    const pw_pool_options pool = { .threads = options->activity_threads };
    if (code == PAWL_OK)
        code = pw_pool_new(&p->pool, &pool, on_job, p, err);
    const pw_jobs_options jobs = { .lease_ms = options->job_lease_ms,
                                   .timeout_ms = options->activity_timeout_ms };
    if (code == PAWL_OK)
        code = pw_jobs_new(&p->jobs, p, &jobs, err);
    if (code == PAWL_OK)
        code = pw_leases_new(&p->leases, p, node, err);
    if (code == PAWL_OK)
        code = pw_leases_join(p->leases, err);
    if (code == PAWL_OK) /* before anybody has read a breaker */
        code = pw_cleanup_new(&p->cleanup, p, options->cleanup, err);
    if (code == PAWL_OK)
        code = start_breakers(p, options->http_timeout_ms, err);
    if (code == PAWL_OK)
        code = make_bulks(p, err);
    if (code == PAWL_OK)
        code = start_tracer(p, options, err);
    if (code == PAWL_OK)
        code = pw_auditor_new(&p->auditor, p, options->audit_ms, options->overdue_ms, err);
    const pw_disk_marks marks = { .low = options->disk_low, .full = options->disk_full };
    if (code == PAWL_OK)
        code = pw_disk_start(&p->disk, p, &marks, err);
    if (code == PAWL_OK)
        code = start_outbox(p, options, pw_seed_next(&seed), err);
    return code == PAWL_OK ? pw_threads_start(&p->threads, p, err) : code;
}

static pawl_code make_lock(pthread_mutex_t *lock, pthread_cond_t *cond, pawl_error *err)
{
    int failed = pthread_mutex_init(lock, NULL);
    if (failed)
        return pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory");
    pawl_code code = pw_condition_init(cond, err);
    if (code != PAWL_OK)
        (void)pthread_mutex_destroy(lock);
    return code;
}

static void drop_lock(pthread_mutex_t *lock, pthread_cond_t *cond)
{
    pw_condition_done(cond);
    (void)pthread_mutex_destroy(lock);
}

/* Their intervals are told by who starts them. */
static pawl_code make_services(pawl *p, pawl_error *err)
{
#define SERVICE_WORD(name, word) word,
    static const char *const words[] = { PW_SERVICES(SERVICE_WORD) };
#undef SERVICE_WORD
    for (size_t i = 0; i < PW_SERVICE_COUNT; i++) {
        pawl_code code = pw_service_init(&p->services[i], words[i], 0, true, err);
        if (code == PAWL_OK)
            continue;
        while (i > 0)
            pw_service_done(&p->services[--i]);
        return code;
    }
    return PAWL_OK;
}

static void drop_services(pawl *p)
{
    for (size_t i = 0; i < PW_SERVICE_COUNT; i++)
        pw_service_done(&p->services[i]);
}

static pawl_code make_shared(pawl *p, pawl_error *err)
{
    pawl_code code = make_services(p, err);
    if (code != PAWL_OK)
        return code;
    code = make_lock(&p->lock, &p->quiet, err);
    if (code == PAWL_OK) {
        code = make_lock(&p->watch_lock, &p->watch_told, err);
        if (code != PAWL_OK)
            drop_lock(&p->lock, &p->quiet);
    }
    if (code != PAWL_OK)
        drop_services(p);
    return code;
}

static pawl_code read_resilience(pawl *p, const pawl_options *options, pawl_error *err)
{
    pw_policies policies;
    pawl_code code = pw_policies_read(&policies, options->resilience, err);
    if (code != PAWL_OK)
        return code;
    p->resilience = policies.given;
    p->faults = policies.faults;
    p->store_ms = policies.given.store_ms;
    p->settings.faults = &p->faults;
    p->settings.long_running_ms = policies.given.long_running_ms;
    p->settings.on_unknown = policies.on_unknown;
    return PAWL_OK;
}

/* For people. */
static const char *store_name(const pawl *p)
{
    const pw_str path = pw_store_path(p->store);
    return path.len ? path.ptr : "a store in memory";
}

/* Takes the store over, also when it fails. */
static pawl_code open_on(pawl **out, const pawl_options *options, const pw_node_options *node,
                         pw_store *store, pawl_error *err)
{
    pawl *p = pw_zalloc(sizeof *p);
    pawl_code code = p ? make_shared(p, err) : pw_no_memory(err);
    if (code != PAWL_OK) {
        pw_store_close(store);
        pw_free(p);
        return code;
    }
    p->store = store;
    p->mode = options->mode;
    p->services_off = options->services_off; /* before anything that it switches off */
    p->now_ms = options->now_ms ? options->now_ms : system_clock_ms;
    p->clock = options->clock;
    p->on_step = options->on_step;
    p->on_step_context = options->on_step_context;
    p->check_ms = options->check_ms ? options->check_ms : PW_CHECK_MS;
    atomic_store(&pw_store_times_of(store)->slow_ms, options->slow_query_ms ? options->slow_query_ms : SLOW_QUERY_MS);
    p->timer_batch = options->timer_batch ? options->timer_batch : PW_TIMER_BATCH;
    p->settings.generation = pw_store_generation(store);
    p->settings.past = pw_store_past_generations(store, &p->settings.past_count);
    pw_service_expect(&p->services[PW_SERVICE_TIMERS], p->check_ms, !pw_engine_timers_off(p));
    code = read_resilience(p, options, err);
    if (code == PAWL_OK)
        code = pw_programs_new(&p->programs, err);
    if (code == PAWL_OK)
        code = pw_tokens_new(&p->tokens, err);
    if (code == PAWL_OK)
        code = pw_counts_new(&p->counts, err);
    if (code == PAWL_OK)
        code = pw_registry_new(&p->registry, err);
    if (code == PAWL_OK && p->mode == PAWL_OWN)
        code = start_owner(p, options, node, err);
    if (code != PAWL_OK) {
        pawl_close(p);
        return code;
    }
    *out = p;
    if (p->mode == PAWL_OWN)
        PW_LOG(PW_LOG_INFO, "engine", "engine.opened", "pawl %s has opened %s with %u step threads", pawl_version(), store_name(p), p->shard_count);
    return PAWL_OK;
}

pawl_code pw_engine_open(pawl **out, const pawl_options *given, const pw_node_options *node,
                         pw_store *store, pawl_error *err)
{
    pawl_options options;
    pawl_code code = read_options(&options, given, err);
    if (code == PAWL_OK)
        return open_on(out, &options, node, store, err);
    pw_store_close(store);
    return code;
}

pawl_code pawl_open(pawl **out, const pawl_options *given, pawl_error *err)
{
    pawl_options options;
    if (!out)
        return pw_fail(err, PAWL_INVALID, "out is NULL");
    pawl_code code = read_options(&options, given, err);
    if (code != PAWL_OK)
        return code;
    const bool own = options.mode == PAWL_OWN;
    const pw_store_options how = { .uri = pw_str_of(options.store),
                                   .mode = own ? PW_STORE_OWN : PW_STORE_READ,
                                   .create = own && options.create != 0 };
    pw_store *store = NULL;
    code = pw_store_open(&store, &how, err);
    return code == PAWL_OK ? open_on(out, &options, NULL, store, err) : code;
}

/* ------------------------------------------------------------------ close */

void pawl_close(pawl *p)
{
    if (!p)
        return;
    atomic_store(&p->closing, true);
    const bool opened = p->threads != NULL;
    if (opened)
        PW_LOG(PW_LOG_INFO, "engine", "engine.closing", "pawl closes %s", store_name(p));
    (void)pthread_mutex_lock(&p->lock);
    pw_condition_wake(&p->quiet);
    (void)pthread_mutex_unlock(&p->lock);
    if (p->committer)
        pw_committer_closing(p->committer);
    pw_outbox_stop(p->outbox);
    pw_auditor_stop(p->auditor);
    pw_disk_stop(p->disk);
    pw_cleanup_stop(p->cleanup);
    pw_threads_stop_bulks(p->threads);
    pw_jobs_close(p->jobs);
    pw_threads_stop_jobs(p->threads);
    pw_threads_stop_recovery(p->threads);
    pw_threads_stop_router(p->threads);
    for (uint32_t i = 0; i < p->shard_count; i++)
        pw_mailbox_signal(&p->shards[i]->mailbox, PW_SIGNAL_CLOSE);
    pw_threads_join_shards(p->threads);
    pw_outbox_free(p->outbox); /* nobody tells it of events any more */
    pw_threads_stop_committer(p->threads);
    pw_disk_free(p->disk);
    pw_threads_stop_breakers(p->threads);
    pw_http_free(
        p->http); /* their last answers go to mailboxes that only pw_shard_free() empties */
    pw_threads_stop_leases(p->threads);
    if (p->leases) /* others go on now, and need not wait for functions that do not heed their
                      cancel */
        pw_leases_leave(p->leases);
    pw_breakers_free(p->breakers);
    pw_bulks_free(p->bulks);
    pw_pool_free(p->pool);
    for (uint32_t i = 0; i < p->shard_count; i++)
        pw_shard_free(p->shards[i]);
    pw_jobs_free(p->jobs);
    pw_committer_free(p->committer);
    pw_recovery_free(p->recovery);
    pw_schedules_free(p->schedules);
    pw_router_free(p->router);
    pw_leases_free(p->leases);
    pw_threads_free(p->threads);
    pw_auditor_free(p->auditor);
    pw_cleanup_free(p->cleanup);
    pw_registry_free(p->registry);
    pw_tokens_free(p->tokens);
    pw_counts_free(p->counts);
    pw_programs_free(p->programs);
    pw_tracer_free(p->tracer);
    if (opened)
        PW_LOG(PW_LOG_INFO, "engine", "engine.closed", "pawl has closed %s", store_name(p));
    if (p->store)
        pw_store_close(p->store);
    while (p->troubles) {
        pw_trouble *next = p->troubles->next;
        pw_free(p->troubles);
        p->troubles = next;
    }
    drop_lock(&p->watch_lock, &p->watch_told);
    drop_services(p);
    drop_lock(&p->lock, &p->quiet);
    pw_free(p);
}

/* ------------------------------------------------------------------ functions */

/* Sends a notice to each shard in turn and waits until it has been dealt with. *more: of LOOK, at one of them. */
static pawl_code notify(pawl *p, pw_message_kind kind, bool *more, pawl_error *err)
{
    *more = false;
    for (uint32_t i = 0; i < p->shard_count; i++) {
        pw_notice notice = { .message.kind = kind };
        pawl_code code = pw_reply_init(&notice.reply, err);
        if (code != PAWL_OK)
            return code;
        pw_mailbox_message(&p->shards[i]->mailbox, &notice.message);
        (void)pw_reply_wait(&notice.reply, UINT64_MAX);
        pw_reply_done(&notice.reply);
        *more = *more || notice.more;
    }
    return PAWL_OK;
}

pawl_code pawl_register(pawl *p, const pawl_activity_options *activity, pawl_error *err)
{
    pawl_code code = pw_engine_may_write(p, err);
    if (code == PAWL_OK)
        code = pw_registry_add(p->registry, activity, err);
    if (code != PAWL_OK)
        return code;
    pw_recovery_again(
        p->recovery); /* also instances that are not in memory; those that are: at once */
    bool more;
    return notify(p, PW_MESSAGE_REGISTERED, &more, err);
}

/* ------------------------------------------------------------------ drain */

/* *whole: every timer that is due has been handed to its instance. */
static pawl_code look_at_clock(pawl *p, uint64_t deadline_ns, bool *whole, pawl_error *err)
{
    bool more = false;
    pawl_code code = pw_recovery_round(p->recovery, deadline_ns, whole, err);
    if (code == PAWL_OK)
        code = notify(p, PW_MESSAGE_LOOK, &more, err);
    *whole = *whole && !more;
    return code;
}

/* Until nobody is busy. */
static pawl_code wait_quiet(pawl *p, uint64_t deadline_ns, pawl_error *err)
{
    bool in_time = true;
    (void)pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->busy) > 0 && !atomic_load(&p->degraded) && !atomic_load(&p->closing) &&
           in_time)
        in_time = pw_condition_wait(&p->quiet, &p->lock, deadline_ns);
    (void)pthread_mutex_unlock(&p->lock);
    if (pw_engine_degraded(p, err))
        return err ? err->code : PAWL_IO;
    if (atomic_load(&p->closing))
        return pw_fail(err, PAWL_BUSY, "closing");
    if (atomic_load(&p->busy) > 0)
        return pw_fail(err, PAWL_TIMEOUT, "%llu instances still have something to do",
                       (unsigned long long)atomic_load(&p->busy));
    return PAWL_OK;
}

pawl_code pawl_drain(pawl *p, uint64_t timeout_ms, pawl_error *err)
{
    pawl_code code = pw_engine_may_write(p, err);
    if (code != PAWL_OK)
        return code;
    uint64_t now = pw_monotonic_ns();
    uint64_t deadline =
        timeout_ms > (UINT64_MAX - now) / 1000000u ? UINT64_MAX - 1 : now + timeout_ms * 1000000u;
    /* A round makes busy whatever is due; when nobody is busy right after one, nothing was due. */
    for (;;) {
        bool whole = false;
        code = look_at_clock(p, deadline, &whole, err);
        if (code == PAWL_OK && whole && atomic_load(&p->busy) == 0 && !pw_letters_left(p))
            return PAWL_OK;
        if (code == PAWL_OK)
            code = wait_quiet(p, deadline, err);
        if (code != PAWL_OK)
            return code;
    }
}
