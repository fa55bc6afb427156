/* workers.c - programs outside that poll for jobs: they die, fall silent, answer late, twice,
 * otherwise, and at nodes that do not have the instance.
 *
 * What they are told is held against the ledger: an answer that was taken is committed, once; one
 * to a job that was wanted all the while is not refused; the same again is a success. */
#include <stdio.h>
#include <stdlib.h>
#include "sim.h"
#include "base/json.h"

enum { JOBS_MAX = 3, WAIT_MAX_MS = 3000 };

const char *const sim_jobs[] = { "mill", "dye" };
const size_t sim_job_count = PW_LENGTH(sim_jobs);

static uint32_t workers_left;
static bool go_home;

typedef struct job {
    char token[128], instance[PW_ID_SIZE], key[64];
    char *input;
    uint64_t visit;
    uint32_t attempt;
} job;

/* One call at a node. */
typedef struct request {
    char *polled; /* of a poll */
    const job *of;
    char result[48];          /* JSON */
    bool fails, retryable;    /* instead of a result */
    bool repeated, cancelled; /* what was told */
    uint64_t wait_ms, lease_ms, retry_after_ms;
    uint32_t most;
    pawl_code code;
    pawl_error error;
} request;

static uint64_t draw(uint64_t n)
{
    return sim_below(SIM_WORKER, n);
}

/* ------------------------------------------------------------------ what they ask */

static void do_poll(pawl *p, void *context)
{
    request *r = context;
    const pawl_poll_options options = { .struct_size = sizeof options,
                                        .functions = sim_jobs,
                                        .function_count = sim_job_count,
                                        .max = r->most,
                                        .wait_ms = r->wait_ms,
                                        .lease_ms = r->lease_ms };
    r->code = pawl_jobs_poll(p, &options, &r->polled, &r->error);
}

static void do_answer(pawl *p, void *context)
{
    request *r = context;
    char *told = NULL;
    const pawl_request who = { .struct_size = sizeof who, .actor = "worker" };
    const pawl_job_failure failure = { .struct_size = sizeof failure,
                                       .status = 503,
                                       .title = r->result,
                                       .retryable = r->retryable,
                                       .retry_after_ms = r->retry_after_ms };
    r->code = r->fails ? pawl_job_fail(p, r->of->token, &failure, &who, &told, &r->error)
                       : pawl_job_complete(p, r->of->token, r->result, &who, &told, &r->error);
    r->repeated = r->code == PAWL_OK && strstr(told, "true") != NULL;
    pawl_free(told);
}

static void do_beat(pawl *p, void *context)
{
    request *r = context;
    char *told = NULL;
    r->code = pawl_job_heartbeat(p, r->of->token, 0, "{\"done\":1}", &told, &r->error);
    r->cancelled = r->code == PAWL_OK && strstr(told, "\"cancelled\":true") != NULL;
    pawl_free(told);
}

/* At any node, and the next when that one does not have the instance. False: no answer. */
static bool ask(request *r, const char *name, void (*what)(pawl *p, void *context))
{
    sim_node *first = sim_pick_node(SIM_WORKER);
    bool answered = false;
    r->code = PAWL_BUSY;
    for (uint32_t i = 0; first && i < sim_settings.nodes && r->code == PAWL_BUSY; i++) {
        sim_node *node = &sim_nodes[(first->number - 1 + i) % sim_settings.nodes];
        answered = sim_call_in(node, name, what, r);
        if (!answered)
            return false;
    }
    return answered;
}

/* ------------------------------------------------------------------ what they hold against the
 * ledger */

static void check_answer(const request *r, bool wanted_before)
{
    const job *j = r->of;
    pw_str id = pw_str_of(j->instance);
    sim_answer found = sim_ledger_answer(id, j->visit, j->attempt);
    uint32_t alias = sim_alias(id);
    unsigned long long visit = j->visit;
    if (r->code == PAWL_OK && found.times != 1)
        sim_violation("i%u: the answer to attempt %u of visit %llu was taken, and is in %u steps",
                      alias, j->attempt, visit, found.times);
    if (r->code == PAWL_LOST && wanted_before && found.wanted)
        sim_violation("i%u: attempt %u of visit %llu was wanted all the while, and its answer "
                      "refused: %s",
                      alias, j->attempt, visit, r->error.message);
    if (r->code == PAWL_INVALID || r->code == PAWL_NOT_FOUND)
        sim_violation("i%u: the answer to attempt %u of visit %llu was told: %s", alias,
                      j->attempt, visit, r->error.message);
    /* the others are to be asked again: busy, or the store fails */
}

static bool answer(request *r)
{
    const job *j = r->of;
    bool wanted = sim_ledger_answer(pw_str_of(j->instance), j->visit, j->attempt).wanted;
    bool answered = ask(r, "answer", do_answer);
    if (answered)
        check_answer(r, wanted);
    sim_note("worker: i%u visit %llu attempt %u %s %s: %s", sim_alias(pw_str_of(j->instance)),
             (unsigned long long)j->visit, j->attempt, r->fails ? "fails" : "ends", r->result,
             !answered            ? "no answer"
             : r->code != PAWL_OK ? r->error.message
             : r->repeated        ? "ok, again"
                                  : "ok");
    return answered;
}

/* Until somebody has said what became of it, or it gives up. */
static bool answer_surely(request *r)
{
    for (uint32_t i = 0; i < 30; i++) {
        bool known = answer(r) && (r->code == PAWL_OK || r->code == PAWL_LOST);
        if (known)
            return true;
        sim_sleep((100 + draw(2000)) * SIM_MS);
    }
    return false;
}

static void say_again(const request *said)
{
    request again = *said;
    bool taken = said->code == PAWL_OK;
    if (answer_surely(&again) && taken && (again.code != PAWL_OK || !again.repeated))
        sim_violation("i%u: the same answer once more was told: %s",
                      sim_alias(pw_str_of(said->of->instance)),
                      again.code == PAWL_OK ? "new" : again.error.message);
}

static void say_otherwise(const request *said)
{
    request other = *said;
    bool taken = said->code == PAWL_OK;
    (void)snprintf(other.result, sizeof other.result, "{\"other\":true}");
    if (answer_surely(&other) && taken && other.code == PAWL_OK)
        sim_violation("i%u: two different answers to one attempt were both taken",
                      sim_alias(pw_str_of(said->of->instance)));
}

/* ------------------------------------------------------------------ what they do */

static void beat(const job *j)
{
    request r = { .of = j };
    if (ask(&r, "beat", do_beat) && r.code == PAWL_INVALID)
        sim_violation("a heartbeat was told: %s", r.error.message);
}

static void work(const job *j)
{
    request r = { .of = j };
    sim_ledger_attempt(pw_str_of(j->instance), j->visit, j->attempt, pw_str_of(j->key),
                       pw_str_of(j->input));
    if (sim_fault(SIM_WORK, SIM_WORKER, 100)) {
        sim_note("worker: dies with i%u visit %llu attempt %u", sim_alias(pw_str_of(j->instance)),
                 (unsigned long long)j->visit, j->attempt);
        return;
    }
    sim_sleep(sim_fault(SIM_WORK, SIM_WORKER, 100) ? draw(20000) * SIM_MS : draw(400) * SIM_MS);
    if (draw(4) == 0)
        beat(j);
    r.fails = sim_fault(SIM_WORK, SIM_WORKER, 150);
    r.retryable = r.fails && draw(3);
    r.retry_after_ms = draw(2) ? draw(8000) : 0;
    (void)snprintf(r.result, sizeof r.result, "{\"weight\":%llu}", (unsigned long long)draw(9));
    if (!answer_surely(&r))
        return;
    if (draw(5) == 0)
        say_again(&r);
    if (draw(8) == 0)
        say_otherwise(&r);
}

static bool read_job(job *out, pw_value v)
{
    unsigned long long visit = 0;
    *out = (job){ 0 };
    (void)snprintf(out->token, sizeof out->token, PW_FMT, PW_ARG(pw_get_text(v, "token")));
    (void)snprintf(out->instance, sizeof out->instance, PW_FMT, PW_ARG(pw_get_text(v, "instance")));
    (void)snprintf(out->key, sizeof out->key, PW_FMT, PW_ARG(pw_get_text(v, "idempotencyKey")));
    if (sscanf(out->token + PW_ID_SIZE - 1, ".%llu.%u", &visit, &out->attempt) != 2)
        return false;
    out->visit = visit;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    out->input = sim_copy(pw_json_text(&arena, pw_get_lit(v, "input"), PW_JSON_COMPACT));
    pw_arena_done(&arena);
    return true;
}

static size_t poll(job *jobs)
{
    request r = { .most = 1 + (uint32_t)draw(JOBS_MAX),
                  .wait_ms = draw(WAIT_MAX_MS),
                  .lease_ms = 200 + draw(4000) };
    sim_node *node = sim_pick_node(SIM_WORKER);
    size_t count = 0;
    if (!node || !sim_call_in(node, "poll", do_poll, &r) || r.code != PAWL_OK)
        return 0;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value v;
    pawl_error err;
    if (pw_json_parse(&v, pw_str_of(r.polled), NULL, &arena, &err) != PAWL_OK)
        sim_violation("a poll gave no JSON: %s", err.message);
    pw_value list = pw_get_lit(v, "jobs");
    for (; count < list.count; count++)
        if (count == r.most || !read_job(&jobs[count], pw_item(list, (uint32_t)count)))
            sim_violation("a poll gave too much, or what cannot be read: %s", r.polled);
    pw_arena_done(&arena);
    pawl_free(r.polled);
    return count;
}

static void be_worker(void *context)
{
    (void)context;
    while (!go_home) {
        job jobs[JOBS_MAX];
        size_t count = poll(jobs);
        for (size_t i = 0; i < count; i++) {
            work(&jobs[i]);
            free(jobs[i].input);
        }
        sim_sleep((count ? 1 + draw(50) : 100 + draw(1000)) * SIM_MS);
    }
    workers_left--;
    sim_wake(&workers_left);
}

void sim_workers_start(uint32_t count)
{
    workers_left = count;
    for (uint32_t i = 0; i < count; i++)
        (void)sim_spawn(NULL, "worker", be_worker, NULL);
}

void sim_workers_stop(void)
{
    go_home = true;
    while (workers_left > 0)
        (void)sim_wait(&workers_left, UINT64_MAX);
}
