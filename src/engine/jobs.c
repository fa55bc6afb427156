/* jobs.c - the shards' side of the board: see jobs.h and drivers/workers.h.
 *
 *     commit --> ticket put --> a poll wants it --> the shard reads the state --> given, leased
 *                                 '-- unsure: "attempt lost" is committed, the next one is given
 *     lease over --> "attempt lost" is committed --> the next attempt is put
 *     deadline over, or the worker says so --> a failure is committed
 *
 * An attempt that waits for its time is not here: the state has it, and puts it when it is due.
 *
 * The committed state says that an attempt is wanted; the board only knows where it is just now. So
 * a ticket that should not be there is found out when it is asked for, and one that should be there
 * when the instance is looked at again. What another process may have handed out is unsure: who is
 * at it has one lease to say so. Nothing here may fail after a commit: the memory for a ticket is
 * got before. */
#include "engine/engine.h"
#include "base/json.h"

struct pw_jobs {
    pawl *engine;
    pw_board *board;
    uint64_t lease_ms, timeout_ms;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool stop, sooner;
};

/* ------------------------------------------------------------------ the object */

static uint64_t now_ns(void *context)
{
    (void)context;
    return pw_monotonic_ns();
}

static void on_wish(void *context, pw_ticket *ticket)
{
    pw_jobs *j = context;
    const pw_str id = { ticket->instance, sizeof ticket->instance };
    pw_mailbox_ticket(&pw_engine_shard_of(j->engine, id)->mailbox, ticket);
}

static void wake(pw_jobs *j, bool *flag)
{
    (void)pthread_mutex_lock(&j->lock);
    *flag = true;
    pw_condition_wake(&j->changed);
    (void)pthread_mutex_unlock(&j->lock);
}

static void on_sooner(void *context)
{
    pw_jobs *j = context;
    wake(j, &j->sooner);
}

static pawl_code make_waiting(pw_jobs *j, pawl_error *err)
{
    int failed = pthread_mutex_init(&j->lock, NULL);
    if (failed)
        return pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory");
    pawl_code code = pw_condition_init(&j->changed, err);
    if (code != PAWL_OK)
        (void)pthread_mutex_destroy(&j->lock);
    return code;
}

pawl_code pw_jobs_new(pw_jobs **out, pawl *p, const pw_jobs_options *options, pawl_error *err)
{
    pw_jobs *j = pw_zalloc(sizeof *j);
    if (!j)
        return pw_no_memory(err);
    j->engine = p;
    j->lease_ms = options->lease_ms ? options->lease_ms : PW_JOB_LEASE_MS;
    j->timeout_ms = options->timeout_ms ? options->timeout_ms : PW_ATTEMPT_MS;
    const pw_board_hooks hooks = { .context = j,
                                   .now_ns = now_ns,
                                   .on_wish = on_wish,
                                   .on_poll = pw_poll_told,
                                   .on_sooner = on_sooner };
    pawl_code code = make_waiting(j, err);
    if (code != PAWL_OK) {
        pw_free(j);
        return code;
    }
    code = pw_board_new(&j->board, &hooks, err);
    if (code != PAWL_OK) {
        pw_jobs_free(j);
        return code;
    }
    *out = j;
    return PAWL_OK;
}

void pw_jobs_free(pw_jobs *j)
{
    if (!j)
        return;
    pw_board_free(j->board);
    pw_condition_done(&j->changed);
    (void)pthread_mutex_destroy(&j->lock);
    pw_free(j);
}

void pw_jobs_close(pw_jobs *j)
{
    if (j)
        pw_board_stop(j->board);
}

void pw_jobs_stop(pw_jobs *j)
{
    wake(j, &j->stop);
}

bool pw_jobs_work(pw_jobs *j)
{
    uint64_t next = pw_board_work(j->board);
    (void)pthread_mutex_lock(&j->lock);
    while (!j->stop && !j->sooner && pw_monotonic_ns() < next)
        (void)pw_condition_wait(&j->changed, &j->lock, next);
    j->sooner = false;
    bool stop = j->stop;
    (void)pthread_mutex_unlock(&j->lock);
    return !stop;
}

pw_board *pw_jobs_board(pw_jobs *j)
{
    return j->board;
}

uint64_t pw_jobs_lease_ms(const pw_jobs *j)
{
    return j->lease_ms;
}

uint64_t pw_jobs_timeout_ms(const pw_jobs *j)
{
    return j->timeout_ms;
}

/* ------------------------------------------------------------------ what a step means */

static pw_board *board_of(const pw_shard *shard)
{
    return shard->engine->jobs->board;
}

pw_ticket *pw_jobs_ticket(pw_shard *shard, const pw_live *live, const pw_work *work)
{
    const pw_ticket_about about = {
        .instance = pw_live_id(live),
        .table = live->slot->partition,
        .visit = work->visit,
        .attempt = work->attempt,
        .function = work->function,
        .namespace_ = live->program->namespace_,
        .task = work->task,
        .priority = work->priority,
        .since_ms = pw_engine_now(shard->engine),
    };
    return pw_ticket_new(board_of(shard), &about);
}

/* Before the next attempt takes its place. A name so long that it is cut is one of `_other`. */
static void count_answer(pw_shard *shard, const pw_live *live)
{
    char name[256];
    size_t length = 0;
    uint64_t held_ns = 0;
    if (pw_board_held(board_of(shard), pw_live_id(live), live->slot->partition, live->commit.job_visit,
                      live->commit.job_attempt, name, sizeof name, &length, &held_ns))
        pw_count_job_answered(shard->engine->counts, (pw_str){ name, length < sizeof name ? length : 0 }, held_ns);
}

void pw_jobs_act(pw_shard *shard, pw_live *live)
{
    pw_commit *commit = &live->commit;
    if (commit->job_visit)
        count_answer(shard, live);
    while (commit->tickets) {
        pw_ticket *ticket = commit->tickets;
        commit->tickets = ticket->next;
        bool parked = pw_live_asleep(live);
        live->wants_function = true;
        pw_board_put(board_of(shard), ticket, parked ? PW_PUT_PARKED : PW_PUT_FRESH, 0);
    }
    if (commit->job_visit)
        pw_board_take_off(board_of(shard), pw_live_id(live), live->slot->partition,
                          commit->job_visit, commit->job_attempt);
}

/* ------------------------------------------------------------------ what the state wants */

pawl_code pw_jobs_hold(pw_shard *shard, const pw_live *live, const pw_work *work, pawl_error *err)
{
    pw_board *board = board_of(shard);
    const pw_str id = pw_live_id(live);
    const uint32_t table = live->slot->partition;
    if (pw_board_look(board, id, table, work->visit, work->attempt) != PW_THERE_NOT) {
        pw_board_unpark(board, id, table, work->visit); /* the instance goes on */
        return PAWL_OK;
    }
    pw_ticket *ticket = pw_jobs_ticket(shard, live, work);
    if (!ticket)
        return pw_no_memory(err);
    pw_board_put(board, ticket, PW_PUT_UNSURE, shard->engine->jobs->lease_ms);
    return PAWL_OK;
}

bool pw_jobs_release(pw_shard *shard, const pw_live *live, const pw_work *work, bool *lost)
{
    pw_board *board = board_of(shard);
    const pw_str id = pw_live_id(live);
    const uint32_t table = live->slot->partition;
    pw_there there = pw_board_look(board, id, table, work->visit, work->attempt);
    *lost = there == PW_THERE_NOT || there == PW_THERE_UNSURE;
    if (there == PW_THERE_TAKEN)
        return false;
    pw_board_take_off(board, id, table, work->visit, work->attempt);
    return true;
}

/* ------------------------------------------------------------------ what the board wants */

/* The job as a worker gets it; when it ends is added when it is handed out. */
static char *write_job(pw_shard *shard, const pw_live *live, const pw_work *work, size_t *length)
{
    char token[PW_JOB_TOKEN_SIZE], trace[PW_TRACE_SIZE];
    const pw_job_name name = { .instance = pw_live_id(live),
                               .visit = work->visit,
                               .attempt = work->attempt };
    pw_job_token(token, shard->engine, &name);
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_printf(&buf, "{\"token\":\"%s\",\"function\":", token);
    pw_json_write_string(&buf, work->function);
    pw_buf_text(&buf, ",\"namespace\":");
    pw_json_write_string(&buf, live->program->namespace_);
    pw_buf_text(&buf, ",\"name\":");
    pw_json_write_string(&buf, live->program->name);
    pw_buf_printf(&buf, ",\"instance\":\"" PW_FMT "\",\"task\":", PW_ARG(name.instance));
    pw_json_write_string(&buf, work->task);
    pw_buf_printf(&buf, ",\"attempt\":%u,\"priority\":%d,\"input\":", work->attempt,
                  work->priority);
    pw_buf_str(&buf, work->input);
    pw_buf_printf(&buf, ",\"idempotencyKey\":\"" PW_FMT "\",\"correlation\":", PW_ARG(work->key));
    pw_json_write_string(&buf, live->correlation);
    if (pw_trace_base(trace, shard->engine, pw_live_id(live), live->trace)) {
        pw_trace_of_attempt(trace, trace, work->key, work->attempt);
        pw_buf_printf(&buf, ",\"traceparent\":\"%s\"", trace);
    }
    if (work->last_error.len) {
        pw_buf_text(&buf, ",\"lastError\":");
        pw_buf_str(&buf, work->last_error);
    }
    pw_buf_char(&buf, '}');
    *length = buf.len;
    char *text = pw_buf_take(&buf);
    pw_buf_done(&buf);
    return text;
}

static void hand_out(pw_shard *shard, pw_live *live, pw_ticket *ticket)
{
    pw_board *board = board_of(shard);
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_work work = { 0 };
    bool sure = pw_shard_sure(shard, live);
    bool wanted = sure &&
                  pw_state_work_of(&work, live->state, live->program, ticket->visit, &arena) &&
                  work.attempt == ticket->attempt;
    bool parked = pw_live_asleep(live);
    size_t length = 0;
    char *job = wanted && !parked ? write_job(shard, live, &work, &length) : NULL;
    uint64_t timeout_ms = work.timeout_ms ? work.timeout_ms : shard->engine->jobs->timeout_ms;
    if (job)
        PW_FAULT("job-before-give");
    const int64_t since_ms = ticket->since_ms; /* it is the board's again after that */
    if (job && pw_board_give(board, ticket, job, length, timeout_ms))
        pw_count_job_given(shard->engine->counts, work.function, pw_engine_now(shard->engine) - since_ms);
    if (!job)
        pw_board_refuse(board, ticket,
                        !sure || arena.failed || (wanted && !parked) ? PW_REFUSE_LATER
                        : wanted                                     ? PW_REFUSE_PARKED
                                                                     : PW_REFUSE_GONE);
    pw_arena_done(&arena);
}

bool pw_jobs_serve(pw_shard *shard, pw_live *live, pw_ticket *ticket, bool *timed_out)
{
    pw_wish wish = (pw_wish)ticket->wish;
    bool wanted = live->state && pw_state_wants(live->state, ticket->visit, ticket->attempt);
    *timed_out = wish == PW_WISH_TIMED_OUT;
    if (!wanted)
        pw_board_refuse(board_of(shard), ticket, PW_REFUSE_GONE);
    else if (wish == PW_WISH_GIVE)
        hand_out(shard, live, ticket);
    else if (wish == PW_WISH_RENEW && pw_live_asleep(live))
        pw_board_refuse(board_of(shard), ticket, PW_REFUSE_PARKED);
    else
        return true;
    return false;
}

pw_value pw_jobs_timeout(pw_arena *arena)
{
    const pw_member members[] = {
        { PW_LIT("status"), pw_int(408) },
        { PW_LIT("title"), pw_string_ref(PW_LIT("timeout")) },
        { PW_LIT("detail"),
          pw_string_ref(PW_LIT("the worker gave no result before the deadline")) },
    };
    return pw_object_of(arena, members, PW_LENGTH(members));
}
