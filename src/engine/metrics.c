/* metrics.c - pawl_metrics: the numbers of all parts as text for Prometheus. doc/monitoring.md says what each is for.
 *
 * Labels are of fixed sets, or bounded (counts.h). A part that cannot be read now has no samples: the rest is more
 * worth than none. What is counted in the store is counted anew every five seconds at most, and seldom enough that it takes no
 * more than a fiftieth of the time. */
#include <stdio.h>
#include <unistd.h>
#include "engine/engine.h"

#define COUNTED_NS UINT64_C(5000000000)
#define COUNTED_SHARE 50u
#define METRICS_MAX (64u << 20)

#define LABEL(name, value) (&(const pw_metric_label){ (name), (value) }), 1
#define LABEL_TEXT(name, value) LABEL(name, pw_str_of(value))
#define NO_LABELS NULL, 0

static uint64_t get(const atomic_ullong *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

static void begin(pw_metrics *m, const char *name, const char *type, const char *help)
{
    pw_metrics_begin(m, name, type, help);
}

/* A family of one sample. */
static void one(pw_metrics *m, const char *name, const char *type, const char *help, uint64_t value)
{
    begin(m, name, type, help);
    pw_metrics_count(m, NO_LABELS, value);
}

static const char *const status_words[] = { [0] = "other", "1xx", "2xx", "3xx", "4xx", "5xx" };
static_assert(PW_LENGTH(status_words) == PW_STATUS_CLASSES, "each class has a word");

/* ------------------------------------------------------------------ the process */

/* The 14th, 15th and 22nd field of /proc/self/stat, behind the name, which may have anything in it. False: there is none. */
static bool read_stat(uint64_t *user, uint64_t *system, uint64_t *started)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file)
        return false;
    const size_t len = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    const char *behind = strrchr(text, ')');
    unsigned long long u, s, begun;
    if (!behind || sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu", &u,
                          &s, &begun) != 3)
        return false;
    *user = u;
    *system = s;
    *started = begun;
    return true;
}

static bool read_boot(uint64_t *seconds)
{
    char line[256];
    unsigned long long value = 0;
    bool found = false;
    FILE *file = fopen("/proc/stat", "re");
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, "btime %llu", &value) == 1;
    if (file)
        (void)fclose(file);
    *seconds = value;
    return found;
}

static bool read_resident(uint64_t *bytes)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    const bool found = file && fscanf(file, "%*u %llu", &pages) == 1;
    if (file)
        (void)fclose(file);
    *bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return found;
}

/* The names that every Prometheus client uses. */
static void put_process(pw_metrics *m)
{
    const double ticks = (double)sysconf(_SC_CLK_TCK);
    uint64_t user, system, started, boot, resident;
    if (read_stat(&user, &system, &started)) {
        begin(m, "process_cpu_seconds_total", "counter", "CPU time of the process, user and system.");
        pw_metrics_value(m, NO_LABELS, (double)(user + system) / ticks);
        if (read_boot(&boot)) {
            begin(m, "process_start_time_seconds", "gauge", "When the process began, since the Unix epoch.");
            pw_metrics_value(m, NO_LABELS, (double)boot + (double)started / ticks);
        }
    }
    if (read_resident(&resident))
        one(m, "process_resident_memory_bytes", "gauge", "Memory of the process that is resident.", resident);
}

static void put_info(pw_metrics *m, const pawl *p)
{
    const pw_metric_label labels[] = { { "version", pw_str_of(pawl_version()) },
                                       { "mode", p->mode == PAWL_OWN ? PW_LIT("owner") : PW_LIT("reader") } };
    begin(m, "pawl_info", "gauge", "Always 1: which program this is, and whether it owns the store.");
    pw_metrics_count(m, labels, PW_LENGTH(labels), 1);
}

/* ------------------------------------------------------------------ of all shards */

static void add_histogram(pw_histogram *sum, const pw_histogram *part)
{
    for (size_t i = 0; i <= PW_HISTOGRAM_BOUNDS; i++)
        sum->buckets[i] += get(&part->buckets[i]);
    sum->sum_us += get(&part->sum_us);
}

static void add_all(atomic_ullong *sum, const atomic_ullong *part, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum[i] += get(&part[i]);
}

static void sum_up(pw_step_counts *sum, const pawl *p)
{
    *sum = (pw_step_counts){ .started = 0 };
    for (uint32_t i = 0; i < p->shard_count; i++) {
        const pw_step_counts *part = &p->shards[i]->counts;
        add_histogram(&sum->step, &part->step);
        add_all(&sum->started, &part->started, 1);
        add_all(sum->ended, part->ended, PW_STATUS_COUNT);
        add_all(&sum->faults[0][0][0], &part->faults[0][0][0], sizeof sum->faults / sizeof(atomic_ullong));
        add_all(&sum->incidents, &part->incidents, 1);
        add_all(&sum->resolved, &part->resolved, 1);
        add_all(sum->actions, part->actions, PW_EVENT_KIND_COUNT);
    }
}

/* ------------------------------------------------------------------ workflows */

static void add_sink(pw_stored_counts *out, const pw_publish_counts *sink)
{
    if (out->sink_count <= PW_SINKS_MAX)
        out->sinks[out->sink_count++] = (pw_sink_count){ .oldest_ms = -1 };
    pw_sink_count *at = &out->sinks[out->sink_count - 1];
    const bool other = out->sink_count > PW_SINKS_MAX;
    (void)snprintf(at->name, sizeof at->name, PW_FMT, PW_ARG(other ? PW_LIT(PW_NAMED_OTHER) : sink->sink));
    at->pending += sink->pending;
    at->dead += sink->dead;
    if (sink->oldest_ms >= 0 && (at->oldest_ms < 0 || sink->oldest_ms < at->oldest_ms))
        at->oldest_ms = sink->oldest_ms;
}

static pawl_code count_sinks(pawl *p, pw_stored_counts *out, pawl_error *err)
{
    pw_arena arena;
    pw_publish_counts *sinks = NULL;
    size_t count = 0;
    pw_arena_init(&arena, 0);
    pawl_code code = pw_store_publish_count(p->store, &sinks, &count, &arena, err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++)
        add_sink(out, &sinks[i]);
    pw_arena_done(&arena);
    return code;
}

/* Under the lock of the counts. */
static pawl_code count_stored(pawl *p, pawl_error *err)
{
    pw_counts *c = p->counts;
    const uint64_t begun = pw_monotonic_ns();
    if (begun < c->good_until_ns)
        return PAWL_OK;
    const pw_instance_filter living = { .living = true };
    const pw_incident_filter open = { .resolved = false };
    pw_stored_counts now = { .incidents = 0 };
    pawl_code code = pw_store_instance_count(p->store, &living, now.instances, err);
    if (code == PAWL_OK)
        code = pw_store_incident_count(p->store, &open, &now.incidents, err);
    if (code == PAWL_OK)
        code = count_sinks(p, &now, err);
    if (code != PAWL_OK)
        return code;
    const uint64_t took = pw_monotonic_ns() - begun;
    c->stored = now;
    c->good_until_ns = begun + (took * COUNTED_SHARE > COUNTED_NS ? took * COUNTED_SHARE : COUNTED_NS);
    return PAWL_OK;
}

static double seconds(int64_t ms)
{
    return (double)ms / 1000;
}

static double age_s(int64_t since_ms, int64_t now_ms)
{
    return since_ms < 0 || since_ms > now_ms ? 0 : seconds(now_ms - since_ms);
}

static void put_sinks(pw_metrics *m, const pw_stored_counts *stored, int64_t now_ms)
{
    begin(m, "pawl_outbox_pending", "gauge", "Events that are not published yet, by sink.");
    for (size_t i = 0; i < stored->sink_count; i++)
        pw_metrics_count(m, LABEL_TEXT("sink", stored->sinks[i].name), stored->sinks[i].pending);
    begin(m, "pawl_outbox_oldest_seconds", "gauge", "How old the oldest of them is.");
    for (size_t i = 0; i < stored->sink_count; i++)
        pw_metrics_value(m, LABEL_TEXT("sink", stored->sinks[i].name), age_s(stored->sinks[i].oldest_ms, now_ms));
    begin(m, "pawl_dead_letters", "gauge", "Events that were given up, and wait for a person, by sink.");
    for (size_t i = 0; i < stored->sink_count; i++)
        pw_metrics_count(m, LABEL_TEXT("sink", stored->sinks[i].name), stored->sinks[i].dead);
}

/* What the threads of the sinks have counted. */
static void put_published(pw_metrics *m, pawl *p)
{
    pw_arena arena;
    pw_outbox_sink *sinks = NULL;
    size_t count = 0;
    pw_arena_init(&arena, 0);
    if (pw_outbox_look(p->outbox, &sinks, &count, &arena, NULL) != PAWL_OK)
        count = 0;
    begin(m, "pawl_outbox_published_total", "counter", "Events that were published, by sink.");
    for (size_t i = 0; i < count; i++)
        pw_metrics_count(m, LABEL("sink", sinks[i].name), sinks[i].published);
    begin(m, "pawl_outbox_failed_total", "counter", "Attempts that failed.");
    for (size_t i = 0; i < count; i++)
        pw_metrics_count(m, LABEL("sink", sinks[i].name), sinks[i].failed);
    begin(m, "pawl_outbox_dead_total", "counter", "Events that were given up after one.");
    for (size_t i = 0; i < count; i++)
        pw_metrics_count(m, LABEL("sink", sinks[i].name), sinks[i].dead);
    pw_arena_done(&arena);
}

static void put_stored(pw_metrics *m, pawl *p)
{
    (void)pthread_mutex_lock(&p->counts->lock);
    pawl_code code = count_stored(p, NULL);
    const pw_stored_counts stored = p->counts->stored;
    (void)pthread_mutex_unlock(&p->counts->lock);
    if (code != PAWL_OK)
        return;
    begin(m, "pawl_instances", "gauge", "Instances that live, by status; schedules are not counted.");
    for (unsigned i = 0; i < PW_STATUS_COUNT; i++)
        if (!pw_status_ended((pw_status)i))
            pw_metrics_count(m, LABEL_TEXT("status", pw_status_name((pw_status)i)), stored.instances[i]);
    one(m, "pawl_incidents_open", "gauge", "Incidents that wait for a person.", stored.incidents);
    put_sinks(m, &stored, pw_engine_now(p));
}

static void put_ended(pw_metrics *m, const char *workflow_label, pw_str workflow, const atomic_ullong ended[PW_STATUS_COUNT])
{
    for (unsigned i = 0; i < PW_STATUS_COUNT; i++) {
        const pw_metric_label labels[] = { { "status", pw_str_of(pw_status_name((pw_status)i)) }, { workflow_label, workflow } };
        if (pw_status_ended((pw_status)i))
            pw_metrics_count(m, labels, workflow_label ? 2 : 1, get(&ended[i]));
    }
}

static void put_workflows(pw_metrics *m, const pawl *p, const pw_step_counts *sum)
{
    const pw_named *named = &p->counts->definitions;
    const unsigned count = atomic_load_explicit(&named->count, memory_order_acquire);
    one(m, "pawl_instances_started_total", "counter", "Instances that this process has started.", get(&sum->started));
    begin(m, "pawl_instances_ended_total", "counter",
          "Instances that have ended here, by status. Faulted: an incident stopped it; it may go on, and end again.");
    put_ended(m, NULL, (pw_str){ 0 }, sum->ended);
    begin(m, "pawl_workflow_started_total", "counter", "The same by definition; of the first 200, and _other.");
    for (unsigned i = 0; i < count; i++) {
        const pw_definition_counts *d = (const pw_definition_counts *)named->rows[i];
        pw_metrics_count(m, LABEL("workflow", d->row.name), get(&d->started));
    }
    begin(m, "pawl_workflow_ended_total", "counter", "The same by definition and status.");
    for (unsigned i = 0; i < count; i++) {
        const pw_definition_counts *d = (const pw_definition_counts *)named->rows[i];
        put_ended(m, "workflow", d->row.name, d->ended);
    }
    begin(m, "pawl_step_seconds", "histogram", "A step, from its decision to the answer of its commit.");
    pw_metrics_histogram(m, NO_LABELS, &sum->step);
    one(m, "pawl_instances_busy", "gauge", "Instances that have something to do now.", atomic_load(&p->busy));
}

/* ------------------------------------------------------------------ background services */

static void put_services(pw_metrics *m, pawl *p)
{
    static const char *const results[] = { "good", "failed" };
    pw_service_state s[PW_SERVICE_COUNT];
    const int64_t now = pw_engine_now(p);
    for (size_t i = 0; i < PW_SERVICE_COUNT; i++)
        pw_service_look(&p->services[i], &s[i]);
#define OF_EACH(name, type, help) \
    begin(m, name, type, help);   \
    for (size_t i = 0; i < PW_SERVICE_COUNT; i++)
#define SERVICE LABEL_TEXT("service", s[i].name)
    OF_EACH("pawl_service_enabled", "gauge", "0: the background service is switched off by its setting.")
        pw_metrics_count(m, SERVICE, s[i].enabled);
    OF_EACH("pawl_service_healthy", "gauge", "0: its last round failed, or it has begun none for three intervals.")
    {
        const pw_service_health health = pw_service_judge(&s[i], now);
        pw_metrics_count(m, SERVICE, health == PW_SERVICE_UP || health == PW_SERVICE_DISABLED);
    }
    OF_EACH("pawl_service_rounds_total", "counter", "Rounds, by result.")
        for (unsigned r = 0; r < 2; r++)
            pw_metrics_count(m, (pw_metric_label[]){ { "service", pw_str_of(s[i].name) }, { "result", pw_str_of(results[r]) } }, 2,
                             r ? s[i].failed_rounds : s[i].rounds - s[i].failed_rounds);
    OF_EACH("pawl_service_items_total", "counter", "What it has worked on, by result.")
        for (unsigned r = 0; r < 2; r++)
            pw_metrics_count(m, (pw_metric_label[]){ { "service", pw_str_of(s[i].name) }, { "result", pw_str_of(results[r]) } }, 2,
                             r ? s[i].failed_items : s[i].items - s[i].failed_items);
    OF_EACH("pawl_service_backlog", "gauge", "What waits for it, as far as it knows.")
        pw_metrics_count(m, SERVICE, s[i].backlog);
    OF_EACH("pawl_service_oldest_seconds", "gauge", "Since when the oldest of that is due; 0: nothing waits.")
        pw_metrics_value(m, SERVICE, age_s(s[i].oldest_ms, now));
    OF_EACH("pawl_service_interval_seconds", "gauge", "A round begins at least so often; 0: only when there is something to do.")
        pw_metrics_value(m, SERVICE, seconds((int64_t)s[i].interval_ms));
    OF_EACH("pawl_service_last_round_timestamp_seconds", "gauge", "When its last round began.")
        if (s[i].begun_ms >= 0)
            pw_metrics_value(m, SERVICE, seconds(s[i].begun_ms));
    OF_EACH("pawl_service_last_good_timestamp_seconds", "gauge", "When its last round that went well ended.")
        if (s[i].good_ms >= 0)
            pw_metrics_value(m, SERVICE, seconds(s[i].good_ms));
#undef OF_EACH
#undef SERVICE
}

static void put_timers(pw_metrics *m, pawl *p)
{
    begin(m, "pawl_timer_lateness_seconds", "histogram", "How late timers are: from when each was due to its commit.");
    pw_metrics_histogram(m, NO_LABELS, &p->lateness);
    one(m, "pawl_clock_jumps_total", "counter", "Times that the clock was set, or the machine slept.", get(&p->clock_jumps));
}

static void put_findings(pw_metrics *m, const pawl *p)
{
    pw_audit_counts counts;
    pw_auditor_count(p->auditor, &counts);
    begin(m, "pawl_audit_findings", "gauge", "What must never be, and is, as the auditor found it last, by how bad it is.");
    pw_metrics_count(m, LABEL_TEXT("severity", "error"), counts.errors);
    pw_metrics_count(m, LABEL_TEXT("severity", "warning"), counts.warnings);
}

/* ------------------------------------------------------------------ calls */

typedef struct now_of_service {
    uint64_t waiting, active;
    unsigned state; /* 0 closed, 1 half-open, 2 open; of several: the worst */
} now_of_service;

static unsigned rank_of(const pw_http_service *service)
{
    if (service->forced == PW_BREAKER_FORCED_OPEN)
        return 2;
    if (service->forced == PW_BREAKER_FORCED_CLOSED)
        return 0;
    switch (service->state) {
    case PW_BREAKER_CLOSED:
        return 0;
    case PW_BREAKER_HALF_OPEN:
        return 1;
    case PW_BREAKER_OPEN:
        return 2;
    }
    return 0;
}

/* What the driver knows of each service, at the place of the row in which its calls are counted. */
static void look_at_services(pawl *p, const pw_named_row *const *rows, unsigned count, now_of_service *now, uint64_t states[3])
{
    pw_arena arena;
    pw_http_service *services = NULL;
    size_t service_count = 0;
    pw_arena_init(&arena, 0);
    if (!p->http || pw_http_services(p->http, &services, &service_count, &arena, NULL) != PAWL_OK)
        service_count = 0;
    for (size_t s = 0; s < service_count; s++) {
        const unsigned rank = rank_of(&services[s]);
        unsigned at = 0; /* "_other" is the first */
        for (unsigned i = 1; i < count && at == 0; i++)
            if (pw_str_eq(rows[i]->name, services[s].service))
                at = i;
        states[rank]++;
        now[at].waiting += services[s].waiting;
        now[at].active += services[s].active;
        if (now[at].state < rank)
            now[at].state = rank;
    }
    pw_arena_done(&arena);
}

static void put_calls(pw_metrics *m, pawl *p)
{
    const pw_named *named = &p->counts->services;
    const unsigned count = atomic_load_explicit(&named->count, memory_order_acquire);
    static const char *const states[] = { "closed", "half-open", "open" };
    now_of_service now[PW_NAMED_MAX + 1] = { { 0 } };
    uint64_t of_state[3] = { 0 };
    look_at_services(p, (const pw_named_row *const *)named->rows, count, now, of_state);
#define OF_EACH(name, type, help)          \
    begin(m, name, type, help);            \
    for (unsigned i = 0; i < count; i++)
#define ROW ((const pw_service_counts *)named->rows[i])
#define SERVICE LABEL("service", named->rows[i]->name)
    OF_EACH("pawl_calls_total", "counter", "Attempts of HTTP calls that have ended, by service (the first 100, and _other) and result.")
        for (unsigned e = 0; e < PW_CALL_ENDS; e++)
            pw_metrics_count(m,
                             (pw_metric_label[]){ { "service", ROW->row.name },
                                                  { "result", pw_str_of(pw_call_end_name((pw_call_end)e)) } },
                             2, get(&ROW->ended[e]));
    OF_EACH("pawl_call_retries_total", "counter", "Attempts of those that were not the first.")
        pw_metrics_count(m, SERVICE, get(&ROW->retries));
    OF_EACH("pawl_call_seconds", "histogram", "Attempts that were sent, from sending to the last byte.")
        pw_metrics_histogram(m, SERVICE, &ROW->duration);
    OF_EACH("pawl_calls_waiting", "gauge", "Calls that wait for their turn, or for the breaker.")
        pw_metrics_count(m, SERVICE, now[i].waiting);
    OF_EACH("pawl_calls_active", "gauge", "Calls that are under way.")
        pw_metrics_count(m, SERVICE, now[i].active);
    OF_EACH("pawl_breaker_state", "gauge", "Of its circuit breaker: 0 closed, 1 half-open, 2 open; _other: the worst of them.")
        pw_metrics_count(m, SERVICE, now[i].state);
    OF_EACH("pawl_breaker_opened_total", "counter", "Times that it has opened, also by a probe that failed.")
        pw_metrics_count(m, SERVICE, get(&ROW->opened));
#undef OF_EACH
#undef ROW
#undef SERVICE
    begin(m, "pawl_breakers", "gauge", "Circuit breakers of services that were called lately, by state.");
    for (unsigned i = 0; i < 3; i++)
        pw_metrics_count(m, LABEL_TEXT("state", states[i]), of_state[i]);
}

/* ------------------------------------------------------------------ the store */

static void put_store(pw_metrics *m, pawl *p)
{
    pw_store_times *times = pw_store_times_of(p->store);
    pw_store_counts counts;
    pw_store_pool pool;
    pw_store_count(p->store, &counts);
    pw_store_pool_look(p->store, &pool);
    begin(m, "pawl_store_operation_seconds", "histogram", "Operations of the store, by name.");
    for (unsigned i = 0; i < PW_STORE_OPERATION_COUNT; i++)
        pw_metrics_histogram(m, LABEL_TEXT("operation", pw_store_operation_name((pw_store_operation)i)), &times->took[i]);
    begin(m, "pawl_store_slow_operations_total", "counter", "Operations that took longer than Store:SlowQuery.");
    for (unsigned i = 0; i < PW_STORE_OPERATION_COUNT; i++)
        pw_metrics_count(m, LABEL_TEXT("operation", pw_store_operation_name((pw_store_operation)i)), get(&times->slow[i]));
    one(m, "pawl_store_degraded", "gauge", "1: the store could not be written lately, and is tried again.",
        pw_engine_degraded(p, NULL));
    one(m, "pawl_store_reopens_total", "counter", "Times that the store was opened again after a failure.", get(&times->reopens));
    one(m, "pawl_store_commits_total", "counter", "Transactions of steps.", counts.commits);
    one(m, "pawl_store_committed_steps_total", "counter", "Steps in them.", counts.items);
    one(m, "pawl_store_conflicts_total", "counter", "Steps that lost a race, and were decided again.", counts.conflicts);
    one(m, "pawl_store_bisections_total", "counter", "Batches written again because of one step.", counts.bisections);
    one(m, "pawl_store_statements_total", "counter", "Statements of the writer.", counts.statements);
    one(m, "pawl_store_rows_total", "counter", "Rows written.", counts.rows);
    one(m, "pawl_store_syncs_total", "counter", "Times that the disk was waited for.", counts.syncs);
    one(m, "pawl_store_readers", "gauge", "Connections for reading that there may be.", pool.size);
    one(m, "pawl_store_readers_used", "gauge", "Those of them that are in use.", pool.used);
    one(m, "pawl_store_reader_waits_total", "counter", "Reads that found all of them in use.", pool.waits);
}

/* A store in memory has no disk. */
static void put_space(pw_metrics *m, pawl *p)
{
    pw_store_space space;
    if (pw_store_space_look(p->store, &space, NULL) != PAWL_OK || space.disk_bytes == UINT64_MAX)
        return;
    one(m, "pawl_store_file_bytes", "gauge", "Size of the store's file.", space.file_bytes);
    one(m, "pawl_store_free_bytes", "gauge", "Of that: free for new rows.", space.free_bytes);
    one(m, "pawl_store_wal_bytes", "gauge", "Size of its write-ahead log.", space.wal_bytes);
    one(m, "pawl_store_disk_free_bytes", "gauge", "Free on the disk of the store.", space.disk_free_bytes);
    one(m, "pawl_store_disk_bytes", "gauge", "Size of that disk.", space.disk_bytes);
}

/* ------------------------------------------------------------------ faults */

static void put_faults(pw_metrics *m, const pawl *p, const pw_step_counts *sum)
{
    static const char *const decisions[] = { "retry", "incident", "suspend", "compensate" };
    static_assert(PW_LENGTH(decisions) == PW_FAULT_ENDS, "each has a word");
    begin(m, "pawl_faults_total", "counter", "What the fault policy has decided, by type and class of the error.");
    for (unsigned k = 0; k < PW_FAULT_KIND_COUNT; k++)
        for (unsigned c = 0; c < PW_ERROR_CLASS_COUNT; c++)
            for (unsigned d = 0; d < PW_FAULT_ENDS; d++) {
                const pw_metric_label labels[] = { { "kind", pw_str_of(pw_fault_kind_name((pw_fault_kind)k)) },
                                                   { "class", pw_str_of(pw_error_class_name((pw_error_class)c)) },
                                                   { "decision", pw_str_of(decisions[d]) } };
                const uint64_t value = get(&sum->faults[k][c][d]);
                if (value > 0)
                    pw_metrics_count(m, labels, PW_LENGTH(labels), value);
            }
    static const pw_fault_kind kinds[] = { PW_FAULT_STARTUP, PW_FAULT_RESUME };
    begin(m, "pawl_command_retries_total", "counter", "Starts, and other commands (resume-fault), that were decided again by themselves.");
    for (size_t i = 0; i < PW_LENGTH(kinds); i++)
        pw_metrics_count(m, LABEL_TEXT("kind", pw_fault_kind_name(kinds[i])), get(&p->tried[kinds[i]].retried));
    begin(m, "pawl_command_failures_total", "counter", "Those that were answered with an error, because that did not help.");
    for (size_t i = 0; i < PW_LENGTH(kinds); i++)
        pw_metrics_count(m, LABEL_TEXT("kind", pw_fault_kind_name(kinds[i])), get(&p->tried[kinds[i]].failed));
    one(m, "pawl_incidents_opened_total", "counter", "Incidents that came up, and need a person.", get(&sum->incidents));
    one(m, "pawl_incidents_resolved_total", "counter", "Incidents that are over.", get(&sum->resolved));
    begin(m, "pawl_manual_actions_total", "counter", "What people have done to instances, by action.");
    for (unsigned i = 0; i < PW_EVENT_KIND_COUNT; i++)
        if (pw_count_is_action((pw_event_kind)i))
            pw_metrics_count(m, LABEL_TEXT("action", pw_event_name((pw_event_kind)i)), get(&sum->actions[i]));
}

/* ------------------------------------------------------------------ jobs */

static void put_jobs(pw_metrics *m, pawl *p)
{
    static const char *const words[] = { "ready", "leased", "unsure", "parked" };
    pw_arena arena;
    pw_function_row *rows = NULL, other = { .name = PW_LIT(PW_NAMED_OTHER) };
    size_t count = 0;
    if (!p->jobs)
        return;
    pw_arena_init(&arena, 0);
    if (pw_board_functions(pw_jobs_board(p->jobs), (pw_str){ 0 }, &rows, &count, &arena, NULL) != PAWL_OK)
        count = 0;
    for (size_t i = PW_NAMED_MAX; i < count; i++) {
        other.ready += rows[i].ready;
        other.leased += rows[i].leased;
        other.unsure += rows[i].unsure;
        other.parked += rows[i].parked;
        other.polls += rows[i].polls;
    }
    if (count > PW_NAMED_MAX) {
        rows[PW_NAMED_MAX] = other;
        count = PW_NAMED_MAX + 1;
    }
    begin(m, "pawl_jobs", "gauge", "Jobs for workers, by function (200 of them, and _other) and state.");
    for (size_t i = 0; i < count; i++) {
        const uint64_t numbers[] = { rows[i].ready, rows[i].leased, rows[i].unsure, rows[i].parked };
        for (size_t s = 0; s < PW_LENGTH(words); s++)
            pw_metrics_count(m, (pw_metric_label[]){ { "function", rows[i].name }, { "state", pw_str_of(words[s]) } }, 2, numbers[s]);
    }
    begin(m, "pawl_job_polls", "gauge", "Polls of workers that wait, by function.");
    for (size_t i = 0; i < count; i++)
        pw_metrics_count(m, LABEL("function", rows[i].name), rows[i].polls);
    pw_arena_done(&arena);
}

/* ------------------------------------------------------------------ activities */

/* One histogram of each function that has something in it: many are only called one way. */
static void put_functions(pw_metrics *m, const pawl *p, size_t which, const char *name, const char *help)
{
    const pw_named *named = &p->counts->functions;
    const unsigned count = atomic_load_explicit(&named->count, memory_order_acquire);
    begin(m, name, "histogram", help);
    for (unsigned i = 0; i < count; i++) {
        const pw_histogram *histogram = (const pw_histogram *)((const char *)named->rows[i] + which);
        if (i == 0 || pw_histogram_count(histogram) > 0)
            pw_metrics_histogram(m, LABEL("function", named->rows[i]->name), histogram);
    }
}

static void put_activities(pw_metrics *m, const pawl *p)
{
    put_functions(m, p, offsetof(pw_function_counts, ran), "pawl_activity_seconds",
                  "Functions of this process, from being asked for to their end, each attempt.");
    put_functions(m, p, offsetof(pw_function_counts, waited), "pawl_job_wait_seconds",
                  "Attempts of jobs, from coming up until a worker has them.");
    put_functions(m, p, offsetof(pw_function_counts, held), "pawl_job_seconds",
                  "Attempts of jobs, from there to the commit of the answer, result or failure.");
}

/* ------------------------------------------------------------------ requests, log */

static void put_served(pw_metrics *m, const pawl *p)
{
    const pw_named *named = &p->counts->served;
    const unsigned count = atomic_load_explicit(&named->count, memory_order_acquire);
    begin(m, "pawl_http_requests_total", "counter", "Requests that were answered, by route and class of status.");
    for (unsigned i = 0; i < count; i++) {
        const pw_served_counts *row = (const pw_served_counts *)named->rows[i];
        for (unsigned c = 0; c < PW_STATUS_CLASSES; c++) {
            const pw_metric_label labels[] = { { "route", row->row.name }, { "status", pw_str_of(status_words[c]) } };
            if (get(&row->answers[c]) > 0)
                pw_metrics_count(m, labels, PW_LENGTH(labels), get(&row->answers[c]));
        }
    }
    begin(m, "pawl_http_request_seconds", "histogram", "What they took, waiting for an end (wait=) included.");
    for (unsigned i = 0; i < count; i++) {
        const pw_served_counts *row = (const pw_served_counts *)named->rows[i];
        if (pw_histogram_count(&row->duration) > 0)
            pw_metrics_histogram(m, LABEL("route", row->row.name), &row->duration);
    }
}

static void put_log(pw_metrics *m)
{
    static const char *const levels[] = { [PW_LOG_ERROR] = "error", [PW_LOG_WARNING] = "warning", [PW_LOG_INFO] = "info", [PW_LOG_DEBUG] = "debug" };
    pw_log_counts counts;
    pw_log_count(&counts);
    begin(m, "pawl_log_lines_total", "counter", "Lines of the log, by level.");
    for (unsigned i = PW_LOG_ERROR; i <= PW_LOG_DEBUG; i++)
        pw_metrics_count(m, LABEL_TEXT("level", levels[i]), counts.lines[i]);
    one(m, "pawl_log_dropped_total", "counter", "Lines that nobody took in time.", counts.dropped);
}

static void put_traces(pw_metrics *m, const pawl *p)
{
    pw_tracer_counts counts;
    pw_tracer_count(p->tracer, &counts);
    one(m, "pawl_spans_sent_total", "counter", "Spans that the collector has taken.", counts.sent);
    one(m, "pawl_spans_dropped_total", "counter", "Spans for which there was no room, or no collector.", counts.dropped);
    one(m, "pawl_trace_failures_total", "counter", "Requests to the collector that failed.", counts.failures);
}

/* ------------------------------------------------------------------ public */

static void put_all(pw_metrics *m, pawl *p)
{
    pw_step_counts sum;
    sum_up(&sum, p);
    put_info(m, p);
    put_stored(m, p);
    put_space(m, p);
    if (p->mode != PAWL_OWN)
        return; /* what it does not do it has not counted */
    put_workflows(m, p, &sum);
    put_services(m, p);
    put_published(m, p);
    put_timers(m, p);
    put_findings(m, p);
    put_calls(m, p);
    put_store(m, p);
    put_faults(m, p, &sum);
    put_jobs(m, p);
    put_activities(m, p);
    put_served(m, p);
    put_log(m);
    put_traces(m, p);
    put_process(m);
}

PAWL_API pawl_code pawl_metrics(pawl *p, char **out, pawl_error *err)
{
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "metrics: the pawl or out is NULL");
    pw_metrics m = { .family = NULL };
    pw_buf_init(&m.buf, METRICS_MAX);
    put_all(&m, p);
    char *text = pw_buf_take(&m.buf);
    if (!text)
        return pw_no_memory(err);
    *out = text;
    return PAWL_OK;
}

PAWL_API void pawl_served(pawl *p, const char *route, int status, uint64_t duration_us)
{
    if (!p || !route)
        return;
    const int class_ = status / 100;
    pw_served_counts *row = (pw_served_counts *)pw_named_get(&p->counts->served, pw_str_of(route));
    atomic_fetch_add_explicit(&row->answers[class_ > 0 && class_ < PW_STATUS_CLASSES ? class_ : 0], 1, memory_order_relaxed);
    pw_histogram_add(&row->duration, duration_us);
}
