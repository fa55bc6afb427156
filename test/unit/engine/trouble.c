/* trouble.c - helpers of the suites about failures. See trouble.h. */
#include <sqlite3.h>
#include <time.h>
#include "trouble.h"

/* ------------------------------------------------------------------ the function `work` */

static pawl_code work_run(pawl_activity *activity, const char *input, void *context)
{
    (void)input;
    trouble *t = context;
    (void)pthread_mutex_lock(&t->lock);
    unsigned run = t->runs++;
    int status = run < t->status_count ? t->statuses[run] : 0;
    bool final = t->final;
    uint64_t retry_after_ms = t->retry_after_ms;
    if (run < PW_LENGTH(t->keys)) {
        (void)snprintf(t->keys[run], sizeof t->keys[0], "%s", pawl_activity_idempotency_key(activity));
        t->attempts[run] = pawl_activity_attempt(activity);
    }
    (void)pthread_mutex_unlock(&t->lock);
    if (status && (final || retry_after_ms)) {
        const pawl_job_failure failure = { .struct_size = sizeof failure,
                                           .status = status,
                                           .title = "no luck",
                                           .retryable = !final,
                                           .retry_after_ms = retry_after_ms };
        return pawl_activity_fail_with(activity, &failure);
    }
    if (status)
        return pawl_activity_fail(activity, status, "no luck", "it failed as it was told");
    char text[64];
    (void)snprintf(text, sizeof text, "{\"attempt\":%u}", pawl_activity_attempt(activity));
    return pawl_activity_return(activity, text, NULL);
}

unsigned trouble_runs(trouble *t)
{
    (void)pthread_mutex_lock(&t->lock);
    unsigned runs = t->runs;
    (void)pthread_mutex_unlock(&t->lock);
    return runs;
}

/* ------------------------------------------------------------------ open and close */

void trouble_init(trouble *t, const char *store)
{
    static unsigned stores; /* a test may open several, one after the other */
    char path[480];
    memset(t, 0, sizeof *t);
    (void)snprintf(path, sizeof path, "%.400s/pawl-%u.db", pw_test_dir(), ++stores);
    fixture_init(&t->f, store ? store : path);
    (void)pthread_mutex_init(&t->lock, NULL);
    t->s = service_new();
    t->resilience = pawl_resilience_default();
    t->resilience.long_running_ms = 0;
    memcpy(t->activities, t->f.activities, sizeof t->f.activities);
    t->activities[3] = (pawl_activity_options){
        .struct_size = sizeof t->activities[3], .name = "work", .run = work_run, .context = t
    };
    t->f.options.activities = t->activities;
    t->f.options.activity_count = PW_LENGTH(t->activities);
    t->f.options.resilience = &t->resilience;
    t->f.options.egress_allow = "loopback";
    fixture_clock(&t->f, TIME0);
}

void trouble_open(trouble *t)
{
    fixture_open(&t->f);
}

void trouble_again(trouble *t)
{
    fixture_close(&t->f);
    fixture_open(&t->f);
}

void trouble_done(trouble *t)
{
    fixture_done(&t->f);
    service_free(t->s);
    (void)pthread_mutex_destroy(&t->lock);
}

/* ------------------------------------------------------------------ workflows */

void deploy_text(trouble *t, const char *name, const char *text)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_printf(&buf, "document: {dsl: 1.0.0, namespace: test, name: %s, version: 1.0.0}\n%s\n", name, text);
    EXPECT_OK(pawl_deploy(t->f.p, buf.ptr, buf.len, NULL, NULL, NULL, &t->f.err), t->f.err);
    pw_buf_done(&buf);
}

void deploy_call_to(trouble *t, const char *name, const char *url, const char *resilience)
{
    char body[1024];
    (void)snprintf(body, sizeof body,
                   "  - pay: {call: http, with: {method: post, endpoint: '%s', body: {n: 1}}%s%s%s}", url,
                   resilience ? ", metadata: {pawl: {resilience: " : "", resilience ? resilience : "",
                   resilience ? "}}" : "");
    deploy(&t->f, name, body);
}

void deploy_call(trouble *t, const char *name, const char *path, const char *resilience)
{
    deploy_call_to(t, name, service_url(t->s, path), resilience);
}

void deploy_work(trouble *t, const char *name, const char *resilience)
{
    char body[1024];
    (void)snprintf(body, sizeof body, "  - do: {call: work, with: {n: 1}%s%s%s}",
                   resilience ? ", metadata: {pawl: {resilience: " : "", resilience ? resilience : "",
                   resilience ? "}}" : "");
    deploy(&t->f, name, body);
}

/* ------------------------------------------------------------------ time */

void idle(trouble *t, const char *id)
{
    EXPECT_OK(pawl_wait(t->f.p, id, PAWL_WAIT_IDLE, WAIT_MS, NULL, &t->f.err), t->f.err);
}

static void read_row(trouble *t, const char *id, pw_instance_row *row, pw_arena *arena)
{
    EXPECT_OK(pw_store_instance_get(t->f.p->store, pw_str_of(id), false, row, arena, &t->f.err), t->f.err);
}

int64_t wake_at(trouble *t, const char *id)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_instance_row row;
    read_row(t, id, &row, &arena);
    pw_arena_done(&arena);
    return row.wake_at;
}

void forward(trouble *t, uint64_t ms)
{
    fixture_clock(&t->f, atomic_load(&t->f.now_ms) + ms);
}

void go_on(trouble *t, const char *id)
{
    int64_t at = wake_at(t, id);
    if (at < (int64_t)atomic_load(&t->f.now_ms))
        fail_msg("instance %s waits for no time: wake_at %lld", id, (long long)at);
    fixture_clock(&t->f, (uint64_t)at);
    idle(t, id);
}

unsigned drive(trouble *t, const char *id)
{
    unsigned moves = 0;
    idle(t, id);
    while (wake_at(t, id) > 0) {
        EXPECT(moves < 100);
        go_on(t, id);
        moves++;
    }
    return moves;
}

/* ------------------------------------------------------------------ questions */

static const char *asked(char *text, const char *expression)
{
    const char *answer = ask(text, expression);
    pawl_free(text);
    return answer;
}

const char *ask_log(trouble *t, const char *id, const char *expression)
{
    return asked(steps(&t->f, id), expression);
}

const char *ask_show(trouble *t, const char *id, const char *expression)
{
    return asked(show(&t->f, id), expression);
}

const char *ask_calls(trouble *t, const char *id, const char *expression)
{
    char *text = NULL;
    EXPECT_OK(pawl_calls(t->f.p, id, &text, &t->f.err), t->f.err);
    return asked(text, expression);
}

const char *ask_incidents(trouble *t, const char *id, const char *expression)
{
    char *text = NULL;
    const pawl_incidents_options options = { .struct_size = sizeof options, .all = 1, .instance = id };
    EXPECT_OK(pawl_incidents(t->f.p, &options, &text, &t->f.err), t->f.err);
    return asked(text, expression);
}

const char *ask_breakers(trouble *t, const char *none, const char *expression)
{
    (void)none;
    char *text = NULL;
    EXPECT_OK(pawl_breakers(t->f.p, 1, &text, &t->f.err), t->f.err);
    return asked(text, expression);
}

const char *ask_count(trouble *t, const char *none, const char *expression)
{
    (void)none;
    char *text = NULL;
    EXPECT_OK(pawl_count(t->f.p, NULL, &text, &t->f.err), t->f.err);
    return asked(text, expression);
}

const char *ask_in_flight(trouble *t, const char *none, const char *expression)
{
    (void)none;
    char text[16];
    (void)snprintf(text, sizeof text, "%u", pw_http_in_flight(t->f.p->http));
    return ask(text, expression);
}

void until_same(trouble *t, const char *(*ask_it)(trouble *, const char *, const char *), const char *id,
                const char *expression, const char *expected)
{
    uint64_t deadline = pw_monotonic_ns() + WAIT_MS * 1000000ull;
    while (strcmp(ask_it(t, id, expression), expected) != 0) {
        if (pw_monotonic_ns() > deadline)
            fail_msg("%s: %s, not %s", expression, ask_it(t, id, expression), expected);
        (void)nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
    }
}

void until_breakers(trouble *t, const char *expression, const char *expected)
{
    until_same(t, ask_breakers, NULL, expression, expected);
}

static void read_faults(trouble *t, const char *id, pw_fault_row **rows, size_t *count, pw_arena *arena)
{
    EXPECT_OK(pw_store_faults(t->f.p->store, pw_str_of(id), rows, count, arena, &t->f.err), t->f.err);
}

const char *faults(trouble *t, const char *id)
{
    static char text[2048];
    size_t used = 0, count = 0;
    pw_fault_row *rows = NULL;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    read_faults(t, id, &rows, &count, &arena);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const pw_fault *fault = &rows[i].fault;
        pw_str end = rows[i].open ? PW_LIT("open") : rows[i].resolution;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s" PW_FMT " " PW_FMT " %u " PW_FMT " " PW_FMT,
                                 i ? "\n" : "", PW_ARG(fault->kind), PW_ARG(fault->class_), fault->attempt,
                                 PW_ARG(fault->decision), PW_ARG(end));
        EXPECT(used < sizeof text);
    }
    pw_arena_done(&arena);
    return text;
}

const char *action(trouble *t, const char *id)
{
    static char text[4096];
    size_t count = 0;
    pw_fault_row *rows = NULL;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    read_faults(t, id, &rows, &count, &arena);
    EXPECT(count > 0);
    (void)snprintf(text, sizeof text, PW_FMT, PW_ARG(rows[count - 1].fault.action));
    pw_arena_done(&arena);
    return text;
}

const char *key_of(trouble *t, unsigned request)
{
    const char *key = service_header(t->s, service_request_at(t->s, request), "Idempotency-Key");
    EXPECT(key != NULL);
    return key;
}

const char *ask_file(trouble *t, const char *sql)
{
    static _Thread_local char answer[4096];
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    (void)snprintf(answer, sizeof answer, "nothing");
    if (sqlite3_open_v2(t->f.store, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        (void)snprintf(answer, sizeof answer, "%s", (const char *)sqlite3_column_text(statement, 0));
    else if (sqlite3_errcode(db) != SQLITE_DONE)
        (void)snprintf(answer, sizeof answer, "%s", sqlite3_errmsg(db));
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
    return answer;
}
