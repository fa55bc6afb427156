/* command_jobs.c - commands of jobs, for workers and for who watches them.
 *
 * A poll that waits asks now and then whether its client is still there; jobs that come when nobody
 * is go back as if they had not been handed out. What answers one job may answer many at once:
 * {"jobs":[{"token",...},...]} gives an array, in the same order, of {"ok":...} or {"error":...};
 * one that is refused does not keep back the others. */
#include <errno.h>
#include <pthread.h>
#include <time.h>
#include "server/command.h"

enum { STOP_SLICE_MS = 250, BATCH_MAX = 100 };

/* ---- polls */

typedef struct waiting {
    pw_cmd *c;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool told;
    char *jobs;
    pawl_error error;
} waiting;

static int on_jobs(void *context, char *jobs, const pawl_error *err)
{
    waiting *w = context;
    pw_cmd *c = w->c;
    bool gone = jobs && c->stop && c->stop(c->stop_context);
    (void)pthread_mutex_lock(&w->lock);
    if (gone)
        pawl_free(jobs);
    else
        w->jobs = jobs;
    if (err)
        w->error = *err;
    w->told = true;
    (void)pthread_cond_signal(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
    return !gone;
}

/* Until it is told, or nobody is there to hear of it. */
static void wait_for_jobs(waiting *w)
{
    (void)pthread_mutex_lock(&w->lock);
    bool gone = false;
    while (!w->told && !gone) {
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += STOP_SLICE_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (pthread_cond_timedwait(&w->changed, &w->lock, &until) == ETIMEDOUT && !w->told &&
            w->c->stop) {
            (void)pthread_mutex_unlock(&w->lock);
            gone = w->c->stop(w->c->stop_context);
            (void)pthread_mutex_lock(&w->lock);
        }
    }
    (void)pthread_mutex_unlock(&w->lock);
}

static pawl_code poll_and_wait(pw_cmd *c, const pawl_poll_options *options, pawl_error *err)
{
    waiting w = { .c = c, .error = { .code = PAWL_OK } };
    pawl_poll *poll = NULL;
    pthread_condattr_t monotonic;
    (void)pthread_mutex_init(&w.lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w.changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    pawl_code code = pawl_poll_open(&poll, c->p, options, on_jobs, &w, err);
    if (code == PAWL_OK) {
        wait_for_jobs(&w);
        pawl_poll_close(poll);
        code = w.error.code;
        if (code != PAWL_OK && err)
            *err = w.error;
        c->result_text = w.jobs;
        if (code == PAWL_OK && !w.jobs) /* nobody hears it */
            c->result = pw_object_of(&c->arena,
                                     (pw_member[]){ { PW_LIT("jobs"), pw_array_ref(NULL, 0) } }, 1);
    }
    (void)pthread_cond_destroy(&w.changed);
    (void)pthread_mutex_destroy(&w.lock);
    return code;
}

static pawl_code run_poll(pw_cmd *c, pawl_error *err)
{
    pawl_poll_options options = {
        .struct_size = sizeof options,
        .namespaces = pw_cmd_typed(c, "namespaces", PW_ARRAY),
        .max = (uint32_t)pw_cmd_number(c, "max", UINT32_MAX),
        .wait_ms = pw_cmd_number(c, "waitMs", INT64_MAX),
        .lease_ms = pw_cmd_number(c, "leaseMs", INT64_MAX),
        .worker = pw_cmd_text(c, "worker"),
    };
    options.functions = pw_cmd_texts(c, "functions", &options.function_count);
    if (!options.worker)
        options.worker = c->asked.actor;
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? poll_and_wait(c, &options, err) : code;
}

/* ---- answers: of one job, or of many */

/* What one command, or one of many in it, says of a job. */
typedef struct said {
    pawl_job_answer answer;
    pawl_job_failure failure;
    uint64_t lease_ms; /* of a heartbeat */
    const char *progress;
    pw_value beat; /* what it was told */
    pawl_error error;
} said;

typedef void (*read_fn)(pw_cmd *c, said *s);
typedef pawl_code (*answer_fn)(pw_cmd *c, said **all, size_t count, pawl_error *err);

static void read_complete(pw_cmd *c, said *s)
{
    s->answer = (pawl_job_answer){ .struct_size = sizeof s->answer,
                                   .token = pw_cmd_needed(c, "token"),
                                   .result = pw_cmd_json(c, "result") };
}

static void read_fail(pw_cmd *c, said *s)
{
    s->failure = (pawl_job_failure){
        .struct_size = sizeof s->failure,
        .status = (int)pw_cmd_number(c, "status", 599),
        .title = pw_cmd_text(c, "title"),
        .detail = pw_cmd_text(c, "detail"),
        .type = pw_cmd_text(c, "type"),
        .retryable = pw_cmd_flag(c, "retryable"),
        .retry_after_ms = pw_cmd_number(c, "retryAfterMs", INT64_MAX),
    };
    s->answer = (pawl_job_answer){ .struct_size = sizeof s->answer,
                                   .token = pw_cmd_needed(c, "token"),
                                   .failure = &s->failure };
}

static void read_beat(pw_cmd *c, said *s)
{
    s->answer.token = pw_cmd_needed(c, "token");
    s->progress = pw_cmd_json(c, "progress");
    s->lease_ms = pw_cmd_number(c, "leaseMs", INT64_MAX);
}

/* Together: they share commits. */
static pawl_code answer(pw_cmd *c, said **all, size_t count, pawl_error *err)
{
    pawl_job_answer *answers = PW_NEW_ARRAY(&c->arena, pawl_job_answer, count);
    if (!answers)
        return pw_fail(err, PAWL_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++)
        answers[i] = all[i]->answer;
    pawl_code code = pawl_jobs_answer(c->p, answers, count, &c->asked, err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++) {
        all[i]->error = answers[i].error;
        all[i]->answer.repeated = answers[i].repeated;
    }
    return code;
}

static pawl_code beat(pw_cmd *c, said **all, size_t count, pawl_error *err)
{
    for (size_t i = 0; i < count; i++) {
        char *told = NULL;
        pawl_code code = pawl_job_heartbeat(c->p, all[i]->answer.token, all[i]->lease_ms,
                                            all[i]->progress, &told, &all[i]->error);
        if (code == PAWL_OK)
            code = pw_json_parse(&all[i]->beat, pw_str_of(told), NULL, &c->arena, err);
        all[i]->error.code = code;
        pawl_free(told);
    }
    return PAWL_OK;
}

static pw_value told(pw_cmd *c, const said *s)
{
    if (!pw_is(s->beat, PW_NONE))
        return s->beat;
    return pw_object_of(
        &c->arena, (pw_member[]){ { PW_LIT("repeated"), pw_bool(s->answer.repeated != 0) } }, 1);
}

static pw_value error_of(pw_cmd *c, const pawl_error *err)
{
    pw_arena *arena = &c->arena;
    pw_str message = pw_str_of(err->message);
    const char *reason = pawl_reason_name(err->reason);
    return pw_object_of(
        arena,
        (pw_member[]){
            { PW_LIT("code"), pw_string_ref(pw_str_of(pawl_code_name(err->code))) },
            { PW_LIT("reason"), reason[0] ? pw_string_ref(pw_str_of(reason)) : (pw_value){ 0 } },
            { PW_LIT("message"),
              pw_string(arena, pw_utf8_valid(message) ? message : PW_LIT("not readable")) } },
        3);
}

/* One of many: its members are read as if it were alone. */
static void read_item(pw_cmd *c, pw_value item, const pw_cmd_entry *known, read_fn read, said *out)
{
    pw_value whole = c->request;
    if (!pw_is(item, PW_OBJECT))
        pw_cmd_refuse(c, PAWL_INVALID, "each of 'jobs' must be an object with a token");
    const pw_member *members = pw_is(item, PW_OBJECT) ? pw_members(item) : NULL;
    for (uint32_t i = 0; members && i < item.count; i++) {
        bool good = false;
        for (size_t m = 1; known->members[m] && !good; m++) /* the first is "jobs" */
            good = pw_str_is(members[i].key, known->members[m]);
        if (!good)
            pw_cmd_refuse(c, PAWL_INVALID, "'%s' knows no member '" PW_FMT "' of a job",
                          known->about.name, PW_ARG(members[i].key));
    }
    c->request = item;
    if (members)
        read(c, out);
    c->request = whole;
    (void)!pw_cmd_read(c, &out->error);
    c->mistake = (pawl_error){ .code = PAWL_OK };
}

static pawl_code answer_many(pw_cmd *c, pw_value jobs, const pw_cmd_entry *known, read_fn read,
                             answer_fn say, pawl_error *err)
{
    said *all = PW_NEW_ARRAY(&c->arena, said, jobs.count + 1);
    said **good = PW_NEW_ARRAY(&c->arena, said *, jobs.count + 1);
    size_t count = 0;
    if (!all || !good)
        return pw_fail(err, PAWL_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < jobs.count; i++) {
        read_item(c, pw_item(jobs, i), known, read, &all[i]);
        if (all[i].error.code == PAWL_OK)
            good[count++] = &all[i];
    }
    pawl_code code = count ? say(c, good, count, err) : PAWL_OK;
    pw_array_builder answers = { .arena = &c->arena };
    for (uint32_t i = 0; i < jobs.count; i++) {
        bool ok = all[i].error.code == PAWL_OK;
        const pw_member member = { ok ? PW_LIT("ok") : PW_LIT("error"),
                                   ok ? told(c, &all[i]) : error_of(c, &all[i].error) };
        pw_array_add(&answers, pw_object_of(&c->arena, &member, 1));
    }
    c->result = pw_array_end(&answers);
    return code;
}

static pawl_code run_answers(pw_cmd *c, const char *name, read_fn read, answer_fn say,
                             pawl_error *err)
{
    pw_value jobs = pw_get_lit(c->request, "jobs");
    if (!pw_is(jobs, PW_NONE)) {
        const pw_cmd_entry *known = pw_commands_jobs.entries;
        while (strcmp(known->about.name, name) != 0)
            known++;
        if (pw_is(jobs, PW_ARRAY) && jobs.count <= BATCH_MAX &&
            pw_is(pw_get_lit(c->request, "token"), PW_NONE))
            return answer_many(c, jobs, known, read, say, err);
        return pw_fail(err, PAWL_INVALID, "'jobs' must be an array of at most %d, and stand alone",
                       BATCH_MAX);
    }
    said one = { .lease_ms = 0 }, *all = &one;
    read(c, &one);
    pawl_code code = pw_cmd_read(c, err);
    if (code == PAWL_OK)
        code = say(c, &all, 1, err);
    if (code == PAWL_OK && one.error.code != PAWL_OK) {
        *err = one.error;
        return one.error.code;
    }
    c->result = told(c, &one);
    return code;
}

static pawl_code run_complete(pw_cmd *c, pawl_error *err)
{
    return run_answers(c, "complete-job", read_complete, answer, err);
}

static pawl_code run_fail(pw_cmd *c, pawl_error *err)
{
    return run_answers(c, "fail-job", read_fail, answer, err);
}

static pawl_code run_heartbeat(pw_cmd *c, pawl_error *err)
{
    return run_answers(c, "heartbeat-job", read_beat, beat, err);
}

/* ---- looking, and limits */

static pawl_code run_jobs(pw_cmd *c, pawl_error *err)
{
    const pawl_jobs_options options = {
        .struct_size = sizeof options,
        .function = pw_cmd_text(c, "function"),
        .namespaces = pw_cmd_typed(c, "namespaces", PW_ARRAY),
        .instance = pw_cmd_text(c, "instance"),
        .after = pw_cmd_text(c, "after"),
        .limit = (uint32_t)pw_cmd_number(c, "limit", 1000),
    };
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_jobs(c->p, &options, &c->result_text, err) : code;
}

static pawl_code run_limit(pw_cmd *c, pawl_error *err)
{
    const char *function = pw_cmd_text(c, "function");
    uint32_t at_once = (uint32_t)pw_cmd_number(c, "maxConcurrent", UINT32_MAX);
    double rate = pw_cmd_real(c, "rate");
    pawl_code code = pw_cmd_read(c, err);
    if (code == PAWL_OK)
        code = pawl_job_limit(c->p, function, at_once, rate, err);
    if (code == PAWL_OK)
        c->result = pw_object_of(&c->arena, NULL, 0);
    return code;
}

// clang-format off
static const pw_cmd_entry entries[] = {
    { { "poll",          PW_ROLE_WORKER,   PW_SCOPE_LIST, .changes = true }, { "functions", "namespaces", "max", "waitMs", "leaseMs", "worker" }, run_poll, .once = true },
    { { "complete-job",  PW_ROLE_WORKER,   PW_SCOPE_JOB, .changes = true }, { "jobs", "token", "result" }, run_complete },
    { { "fail-job",      PW_ROLE_WORKER,   PW_SCOPE_JOB, .changes = true },
      { "jobs", "token", "status", "title", "detail", "type", "retryable", "retryAfterMs" }, run_fail },
    { { "heartbeat-job", PW_ROLE_WORKER,   PW_SCOPE_JOB }, { "jobs", "token", "leaseMs", "progress" }, run_heartbeat },
    { { "jobs",          PW_ROLE_VIEWER,   PW_SCOPE_LIST }, { "function", "namespaces", "instance", "after", "limit" }, run_jobs },
    { { "job-limit",     PW_ROLE_OPERATOR, PW_SCOPE_STORE }, { "function", "maxConcurrent", "rate" }, run_limit },
};
// clang-format on
const pw_cmd_table pw_commands_jobs = { entries, PW_LENGTH(entries) };
