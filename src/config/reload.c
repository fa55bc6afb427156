/* reload.c - what a running pawl takes from the configuration: at the open, after it, and when it
 * is read again. */
#include <stdio.h>
#include "config/config_internal.h"
#include "base/json.h"

static uint32_t count32(const pawl_config *config, const char *key)
{
    return (uint32_t)pawl_config_number(config, key); /* the table's ranges are within it */
}

static const char *text_or_null(const pawl_config *config, const char *key)
{
    const char *text = pawl_config_string(config, key);
    return text[0] ? text : NULL;
}

/* ---- what is done about failures */

static const pw_setting_value *given(const pawl_config *config, const char *path)
{
    pw_str none;
    return &pw_config_find(config, pw_key_find(pw_str_of(path), &none), none)->value;
}

/* {"activity:timeout":"incident",...}; false: no row is set. Names and words were checked: nothing in them needs an escape. */
static bool write_rows(pawl_config *config)
{
    size_t len = 0;
    for (size_t i = pw_config_fixed(); i < config->count; i++) {
        const pw_setting *row = &config->settings[i];
        if (!pw_key_is_row(row->key))
            continue;
        const size_t room = sizeof config->faults - len;
        const int n = snprintf(config->faults + len, room, "%c\"%s\":\"%s\"", len ? ',' : '{',
                               row->name, row->text);
        PW_ASSERT(n > 0 && (size_t)n + 1 < room); /* see PW_FAULTS_SIZE */
        len += (size_t)n;
    }
    if (len > 0)
        (void)snprintf(config->faults + len, sizeof config->faults - len, "}");
    return len > 0;
}

void pw_config_given(pawl_config *config)
{
#define MS(path) given(config, "WorkflowResilience:" path)->number
#define COUNT(path) (uint32_t)MS(path) /* the table's ranges are within it */
    pawl_resilience *r = &config->resilience;
    *r = pawl_resilience_default();
    r->retries = COUNT("Retry:MaxRetryAttempts");
    r->base_delay_ms = MS("Retry:BaseDelay");
    r->max_delay_ms = MS("Retry:MaxDelay");
    r->call_retries = COUNT("ExternalCall:MaxRetryAttempts");
    r->call_base_delay_ms = MS("ExternalCall:BaseDelay");
    r->call_max_delay_ms = MS("ExternalCall:MaxDelay");
    r->breaker_failures = COUNT("CircuitBreaker:FailureThreshold");
    r->breaker_throughput = COUNT("CircuitBreaker:MinimumThroughput");
    r->breaker_window_ms = MS("CircuitBreaker:SamplingDuration");
    r->breaker_break_ms = MS("CircuitBreaker:BreakDuration");
    r->calls_at_once = COUNT("Bulkhead:MaxConcurrent");
    r->calls_per_second = given(config, "WorkflowResilience:RateLimit:Rate")->rate;
    r->store_ms = MS("Timeout:DatabaseOperation");
    r->long_running_ms = given(config, "Workflow:TimerProcessing:TimeoutThreshold")->number;
    r->suspend_after = COUNT("Faults:SuspendAfter");
    r->suspend_within_ms = MS("Faults:SuspendWithin");
    r->on_unknown = given(config, "WorkflowResilience:OnUnknownOutcome")->text.ptr;
    r->faults = write_rows(config) ? config->faults : NULL;
    pw_config_sinks(config);
#undef COUNT
#undef MS
    pawl_cleanup_settings *c = &config->cleanup;
    *c = pawl_cleanup_settings_default();
    c->run_ms = given(config, "Workflow:Cleanup:RunInterval")->number;
    c->instances_ms = given(config, "Workflow:Cleanup:CompletedWorkflowRetention")->number;
    c->steps_ms = given(config, "Workflow:Cleanup:ExecutionLogRetention")->number;
    c->events_ms = given(config, "Workflow:Cleanup:EventRetention")->number;
    c->batch = (uint32_t)given(config, "Workflow:Cleanup:BatchSize")->number;
    c->pause_ms = given(config, "Workflow:Cleanup:Pause")->number;
    c->export_path = given(config, "Workflow:Cleanup:ExportPath")->text.ptr;
}

/* 0 is the default there, which looks at the size of the disk. */
static uint64_t mark_of(const pawl_config *config, const char *path)
{
    pw_str none;
    const pw_setting *setting = pw_config_find(config, pw_key_find(pw_str_of(path), &none), none);
    if (setting->source == PAWL_CONFIG_DEFAULT)
        return 0;
    return setting->value.number > 0 ? (uint64_t)setting->value.number : UINT64_MAX;
}

PAWL_API void pawl_config_options(const pawl_config *config, pawl_options *out)
{
    PW_ASSERT(config && out && out->struct_size >= sizeof *out);
    out->step_threads = count32(config, "Engine:StepThreads");
    out->activity_threads = count32(config, "Engine:ActivityThreads");
    out->http_in_flight = count32(config, "Engine:HttpInFlight");
    out->http_timeout_ms =
        pawl_config_duration_ms(config, "WorkflowResilience:Timeout:ExternalHttpCall");
    out->activity_timeout_ms =
        pawl_config_duration_ms(config, "WorkflowResilience:Timeout:ActivityExecution");
    out->egress_map = text_or_null(config, "Engine:EgressMap");
    out->egress_ca = text_or_null(config, "Engine:EgressCa");
    out->expression_fuel = (uint64_t)pawl_config_number(config, "Engine:ExpressionFuel");
    out->expression_memory = (uint64_t)pawl_config_number(config, "Engine:ExpressionMemory");
    if (!pawl_config_flag(config, "Workflow:OutboxProcessing:Enabled"))
        out->services_off |= PAWL_SERVICE_OUTBOX;
    out->outbox_batch = count32(config, "Workflow:OutboxProcessing:BatchSize");
    out->outbox_ms = pawl_config_duration_ms(config, "Workflow:OutboxProcessing:ProcessingInterval");
    out->outbox_retries = count32(config, "Workflow:OutboxProcessing:MaxRetryAttempts");
    if (out->outbox_retries == 0)
        out->outbox_retries = UINT32_MAX; /* for ever */
    out->check_ms = pawl_config_duration_ms(config, "Workflow:TimerProcessing:CheckInterval");
    out->timer_batch = count32(config, "Workflow:TimerProcessing:BatchSize");
    out->slow_query_ms = pawl_config_duration_ms(config, "Store:SlowQuery");
    if (!pawl_config_flag(config, "Workflow:TimerProcessing:Enabled"))
        out->services_off |= PAWL_SERVICE_TIMERS;
    out->disk_low = mark_of(config, "Store:DiskLow");
    out->disk_full = mark_of(config, "Store:DiskFull");
    out->job_lease_ms = pawl_config_duration_ms(config, "Jobs:Lease");
    out->resilience = &config->resilience;
    out->sinks = config->sink_count ? config->sinks : NULL;
    out->sink_count = config->sink_count;
    out->cleanup = &config->cleanup;
    if (!pawl_config_flag(config, "Workflow:Cleanup:Enabled"))
        out->services_off |= PAWL_SERVICE_CLEANUP;
    if (!pawl_config_flag(config, "Workflow:Audit:Enabled"))
        out->services_off |= PAWL_SERVICE_AUDIT;
    out->audit_ms = pawl_config_duration_ms(config, "Workflow:Audit:Interval");
    out->overdue_ms = pawl_config_duration_ms(config, "Workflow:Audit:Overdue");
    out->egress_allow = text_or_null(config, "Engine:EgressAllow");
    const char *proxy = text_or_null(config, "Engine:Proxy");
    out->http_proxy = proxy && strcmp(proxy, "none") == 0 ? "" : proxy;
    out->http_no_proxy = text_or_null(config, "Engine:NoProxy");
    out->http_insecure_tls = pawl_config_flag(config, "Engine:TlsInsecure");
    out->http_client_certificate = text_or_null(config, "Engine:ClientCertificate");
    out->http_client_key = text_or_null(config, "Engine:ClientKey");
    out->http_response_max = (uint64_t)pawl_config_number(config, "Engine:MaxResponse");
    out->http_redirects = count32(config, "Engine:MaxRedirects");
    out->trace_endpoint = text_or_null(config, "Tracing:Endpoint");
    out->trace_headers = text_or_null(config, "Tracing:Headers");
    const int64_t share = pawl_config_number(config, "Tracing:SamplePerMille");
    out->trace_ratio = share > 0 ? (double)share / 1000 : -1; /* 0 is the default there */
}

/* ---- limits of jobs */

typedef struct limit {
    uint64_t at_once;
    double per_second;
} limit;

static limit limit_of(const pawl_config *config, pw_str function)
{
    static const char *const general[] = { "Jobs:MaxConcurrent", "Jobs:Rate" };
    limit out = { 0 };
    for (size_t i = 0; i < PW_LENGTH(general); i++) {
        pw_str none;
        const pw_key *key = pw_key_find(pw_str_of(general[i]), &none);
        const pw_setting *setting = pw_config_find(config, key, none);
        if (function.len > 0) {
            const pw_setting *own =
                pw_config_find(config, &pw_keys[pw_key_count - PW_KEYS_OF_FUNCTIONS + i], function);
            setting = own ? own : setting;
        }
        if (key->type == PW_KEY_COUNT)
            out.at_once = setting->value.number;
        else
            out.per_second = setting->value.rate;
    }
    return out;
}

static bool is_of_function(const pw_setting *setting)
{
    return setting->key >= &pw_keys[pw_key_count - PW_KEYS_OF_FUNCTIONS];
}

static pawl_code set_limit(const pawl_config *config, pawl *p, const char *function,
                           pawl_error *err)
{
    limit is = limit_of(config, pw_str_of(function));
    return pawl_job_limit(p, function, (uint32_t)is.at_once, is.per_second, err);
}

/* With the lock held; a job limit takes none of ours. */
static pawl_code set_limits(const pawl_config *config, pawl *p, pawl_error *err)
{
    pawl_code code = set_limit(config, p, NULL, err);
    for (size_t i = pw_config_fixed(); i < config->count && code == PAWL_OK; i++)
        if (is_of_function(&config->settings[i]))
            code = set_limit(config, p, config->settings[i].name, err);
    return code;
}

PAWL_API pawl_code pawl_config_apply(const pawl_config *config, pawl *p, pawl_error *err)
{
    if (!config || !p)
        return pw_fail(err, PAWL_INVALID, "pawl_config_apply needs a configuration and a pawl");
    (void)pthread_mutex_lock(config->lock);
    limit general = limit_of(config, (pw_str){ "", 0 });
    pawl_code code = PAWL_OK;
    if (general.at_once > 0 || general.per_second > 0 || 
        (config->count > pw_config_fixed() && is_of_function(&config->settings[config->count - 1])))
        code = set_limits(config, p, err);
    (void)pthread_mutex_unlock(config->lock);
    return code;
}

/* ---- reading it again */

typedef struct change {
    const pw_setting *from, *to; /* one may be NULL: it has a name, and is not there */
} change;

static void add_json(pw_buf *buf, const pw_setting *setting)
{
    if (setting)
        pw_value_json(buf, setting->key, &setting->value);
    else
        pw_buf_text(buf, "null");
}

static void add_change(pw_buf *buf, const change *c)
{
    pw_buf path;
    pw_buf_init(&path, 0);
    pw_setting_path(&path, c->to ? c->to : c->from);
    buf->failed |= path.failed;
    if (!buf->failed) {
        pw_buf_text(buf, buf->len > 0 ? ",{\"key\":" : "{\"key\":");
        pw_json_write_string(buf, pw_buf_view(&path));
        pw_buf_text(buf, ",\"from\":");
        add_json(buf, c->from);
        pw_buf_text(buf, ",\"to\":");
        add_json(buf, c->to);
        pw_buf_char(buf, '}');
    }
    pw_buf_done(&path);
}

typedef struct reload {
    pawl_config *config;
    const pawl_config *fresh;
    pawl *p;
    pw_setting *taken; /* copies of what goes into config */
    size_t taken_count;
    pw_buf changed, restart;
} reload;

static bool differ(const change *c)
{
    return !c->from || !c->to || !pw_value_equal(&c->from->value, &c->to->value);
}

static void note(reload *r, const change *c)
{
    const pw_key *key = c->to ? c->to->key : c->from->key;
    if (differ(c))
        add_change(key->effect == PW_KEY_OPEN ? &r->restart : &r->changed, c);
}

static void compare(reload *r)
{
    for (size_t i = 0; i < r->config->count; i++) {
        const pw_setting *was = &r->config->settings[i];
        note(r, &(change){ was, pw_config_find(r->fresh, was->key, pw_str_of(was->name)) });
    }
    for (size_t i = pw_config_fixed(); i < r->fresh->count; i++) {
        const pw_setting *is = &r->fresh->settings[i];
        if (!pw_config_find(r->config, is->key, pw_str_of(is->name)))
            note(r, &(change){ NULL, is });
    }
}

/* What cannot change stays; where it stands may have changed, be its value as it was. */
static bool stays(const reload *r, const pw_setting *is)
{
    const pw_setting *was = pw_config_find(r->config, is->key, pw_str_of(is->name));
    return is->key->effect == PW_KEY_OPEN && differ(&(change){ was, is });
}

static pawl_code copy_taken(reload *r, pawl_error *err)
{
    r->taken = pw_zalloc((r->fresh->count + r->config->count) * sizeof *r->taken);
    bool good = r->taken != NULL;
    for (size_t i = 0; i < r->fresh->count && good; i++) {
        const pw_setting *is = &r->fresh->settings[i];
        if (!stays(r, is))
            good = pw_setting_copy(&r->taken[r->taken_count++], is);
    }
    for (size_t i = pw_config_fixed(); i < r->config->count && good; i++) {
        const pw_setting *was = &r->config->settings[i];
        const pw_setting *is = pw_config_find(r->fresh, was->key, pw_str_of(was->name));
        if (was->key->effect == PW_KEY_OPEN && differ(&(change){ was, is }))
            good = pw_setting_copy(&r->taken[r->taken_count++], was);
    }
    return good ? PAWL_OK : pw_no_memory(err);
}

/* A log that is not on is none of ours. */
static pawl_code set_levels(const reload *r, pawl_error *err)
{
    const pw_str was = given(r->config, "Logging:Level")->text, is = given(r->fresh, "Logging:Level")->text;
    const pawl_code code = pw_str_eq(was, is) ? PAWL_OK : pawl_logging_level(is.ptr, err);
    return code == PAWL_CONFLICT ? PAWL_OK : code;
}

/* The pawl first: if it cannot follow, nothing is taken. */
static pawl_code follow(reload *r, pawl_error *err)
{
    if (!r->p)
        return PAWL_OK;
    pawl_code code = r->changed.len > 0 ? set_limits(r->fresh, r->p, err) : PAWL_OK;
    for (size_t i = pw_config_fixed(); i < r->config->count && code == PAWL_OK; i++) {
        const pw_setting *was = &r->config->settings[i];
        if (is_of_function(was) && !pw_config_find(r->fresh, was->key, pw_str_of(was->name)))
            code = set_limit(r->fresh, r->p, was->name, err);
    }
    return code == PAWL_OK ? set_levels(r, err) : code;
}

static pawl_code write_changes(reload *r, char **out, pawl_error *err)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, "{\"changed\":[");
    pw_buf_str(&buf, pw_buf_view(&r->changed));
    pw_buf_text(&buf, "],\"restart\":[");
    pw_buf_str(&buf, pw_buf_view(&r->restart));
    pw_buf_text(&buf, "]}");
    buf.failed |= r->changed.failed || r->restart.failed;
    *out = pw_buf_take(&buf);
    return *out ? PAWL_OK : pw_no_memory(err);
}

PAWL_API pawl_code pawl_config_reload(pawl_config *config, const pawl_config *fresh, pawl *p,
                                      char **out, pawl_error *err)
{
    if (!config || !fresh || config == fresh)
        return pw_fail(err, PAWL_INVALID, "pawl_config_reload needs two configurations");
    reload r = { .config = config, .fresh = fresh, .p = p };
    pw_buf_init(&r.changed, 0);
    pw_buf_init(&r.restart, 0);
    char *text = NULL;
    (void)pthread_mutex_lock(config->lock);
    compare(&r);
    pawl_code code = copy_taken(&r, err);
    if (code == PAWL_OK)
        code = write_changes(&r, &text, err);
    if (code == PAWL_OK)
        code = pw_config_room(config, r.taken_count, err);
    if (code == PAWL_OK)
        code = follow(&r, err);
    if (code == PAWL_OK) {
        pw_config_replace(config, r.taken, r.taken_count);
        pw_config_sinks(config); /* the same, in other memory */
    }
    (void)pthread_mutex_unlock(config->lock);
    for (size_t i = 0; r.taken && i < r.taken_count; i++)
        pw_setting_done(&r.taken[i]);
    pw_free(r.taken);
    pw_buf_done(&r.changed);
    pw_buf_done(&r.restart);
    if (code == PAWL_OK && out)
        *out = text;
    else
        pw_free(text);
    return code;
}
