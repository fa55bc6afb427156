/* act.c - carry out what was committed. All memory that it needs is got before the commit
 * (prepare), so that a committed intent is always started. What was started is known as a flight
 * until its answer has been dealt with. */
#include "engine/engine.h"

/* ------------------------------------------------------------------ making */

/* What the program says of the task goes before what is configured. The program may be gone before the call. */
static void add_resilience(pw_http_call *call, const pw_resilience *r)
{
    if (!r)
        return;
    call->service = pw_arena_str(&call->arena, r->service);
    call->breaker.failures = r->failures;
    call->breaker.throughput = r->throughput;
    call->breaker.window_ms = r->window_ms;
    call->breaker.break_ms = r->break_ms;
    call->at_once = r->at_once;
    call->per_second = r->per_second;
    call->fail_when_open = r->fail_when_open;
}

/* The request of an attempt that is not the first is in the store, and nowhere else: it is sent as it was. */
static pawl_code find_request(pw_str *out, const pw_shard *shard, const pw_live *live, const pw_call_intent *intent,
                              pw_arena *arena, pawl_error *err)
{
    pw_call_row row = { 0 };
    *out = intent->request;
    if (!intent->again)
        return PAWL_OK;
    pawl_code code = pw_store_call_get(shard->engine->store, pw_live_id(live), intent->key, &row, arena, err);
    if (code == PAWL_NOT_FOUND)
        return pw_fail(err, PAWL_CORRUPT,
                       "the request of the call '" PW_FMT "' is not in the store; restore it from a backup",
                       PW_ARG(intent->key));
    *out = row.intent.request;
    return code;
}

static pw_http_call *make_call(const pw_shard *shard, const pw_live *live, const pw_call_intent *intent,
                               const pw_resilience *resilience, pawl_error *err)
{
    pw_http_call *call = pw_http_call_new();
    if (!call) {
        (void)pw_no_memory(err);
        return NULL;
    }
    call->instance = pw_arena_str(&call->arena, pw_live_id(live));
    call->visit = intent->visit;
    call->attempt = intent->attempt;
    call->key = pw_arena_str(&call->arena, intent->key);
    call->timeout_ms = intent->timeout_ms;
    const pw_instance_new *create = live->commit.item.create; /* of a first step, which is not committed yet */
    bool first = live->token == 0 && create;
    call->correlation = pw_arena_str(&call->arena, first ? create->correlation : live->correlation);
    char trace[PW_TRACE_SIZE];
    if (pw_trace_base(trace, shard->engine, pw_live_id(live), first ? create->trace : live->trace)) {
        pw_trace_of_attempt(trace, trace, intent->key, intent->attempt);
        call->trace = pw_arena_str(&call->arena, pw_str_of(trace));
    }
    add_resilience(call, resilience);
    pw_str request = { 0 };
    pawl_code code = find_request(&request, shard, live, intent, &call->arena, err);
    if (code == PAWL_OK)
        code = pw_call_request_parse(&call->request, request, &call->arena, err);
    if (code == PAWL_OK && call->arena.failed)
        code = pw_no_memory(err);
    if (code == PAWL_OK)
        return call;
    pw_http_call_free(call);
    return NULL;
}

/* The task's own limit of an attempt goes before the function's, and that before the default. */
static pw_job *make_job(const pw_shard *shard, const pw_live *live, const pw_work *work,
                        const pawl_activity_options *activity, pawl_error *err)
{
    pw_job *job = pw_job_new();
    if (!job) {
        (void)pw_no_memory(err);
        return NULL;
    }
    job->instance = pw_arena_str(&job->arena, pw_live_id(live));
    job->visit = work->visit;
    job->attempt = work->attempt;
    job->task = pw_arena_str(&job->arena, work->task);
    job->key = pw_arena_str(&job->arena, work->key);
    job->input = pw_arena_str(&job->arena, work->input);
    job->activity = *activity;
    if (work->timeout_ms)
        job->activity.deadline_ms = work->timeout_ms;
    else if (!job->activity.deadline_ms)
        job->activity.deadline_ms = pw_jobs_timeout_ms(shard->engine->jobs);
    if (job->instance.ptr && job->task.ptr && job->key.ptr && job->input.ptr)
        return job;
    pw_job_release(job);
    (void)pw_no_memory(err);
    return NULL;
}

/* The rows that the step writes for other instances, on their way; what there is no room for is
 * read from the store. */
static pawl_code make_letters(pw_shard *shard, pw_commit *commit, pawl_error *err)
{
    const pw_transition *t = &commit->transition;
    commit->last_letter = &commit->letters;
    for (size_t i = 0; i < t->message_count; i++) {
        const pw_inbox_row row = { .target = t->messages[i].target,
                                   .key = t->messages[i].dedupe_key,
                                   .kind = t->messages[i].kind,
                                   .payload = t->messages[i].payload };
        pw_letter *letter;
        pawl_code code = pw_letter_new(&letter, shard->engine, &row, false, err);
        if (code != PAWL_OK)
            return code;
        commit->letters_left = commit->letters_left || !letter;
        if (!letter)
            continue;
        *commit->last_letter = letter;
        commit->last_letter = &letter->next;
    }
    return PAWL_OK;
}

/* The report of a step for on_step. */
static pawl_code make_report(pw_commit *commit, const pw_live *live, pawl_error *err)
{
    const pw_transition *t = &commit->transition;
    pw_buf buf;
    pw_buf_init(&buf, 0);
    char at[PW_MOMENT_SIZE];
    pw_moment_write(at, commit->item.now_ms);
    pw_buf_printf(&buf,
                  "{\"instance\":\"" PW_FMT
                  "\",\"sequence\":%llu,\"at\":\"%s\",\"status\":\"%s\",\"entries\":",
                  PW_ARG(pw_live_id(live)), (unsigned long long)commit->item.token + 1, at,
                  pw_status_name(t->status));
    if (pw_is(t->whole_entries, PW_NONE))
        pw_buf_str(&buf, t->entries.len ? t->entries : PW_LIT("[]"));
    else
        pw_json_write(&buf, t->whole_entries, PW_JSON_COMPACT);
    pw_buf_char(&buf, '}');
    commit->report = pw_buf_take(&buf);
    pw_buf_done(&buf);
    return commit->report ? PAWL_OK : pw_no_memory(err);
}

void pw_act_drop(pw_commit *commit)
{
    for (pw_http_call *call = commit->calls, *next = NULL; call; call = next) {
        next = call->next;
        pw_http_call_free(call);
    }
    for (pw_job *job = commit->jobs, *next = NULL; job; job = next) {
        next = job->next;
        pw_job_release(job);
    }
    for (pw_letter *letter = commit->letters, *next = NULL; letter; letter = next) {
        next = letter->next;
        pw_letter_free(letter);
    }
    for (pw_ticket *ticket = commit->tickets, *next = NULL; ticket; ticket = next) {
        next = ticket->next;
        pw_ticket_free(pw_jobs_board(commit->shard->engine->jobs), ticket);
    }
    commit->calls = NULL;
    commit->jobs = NULL;
    commit->tickets = NULL;
    while (commit->errands) {
        pw_errand *errand = commit->errands;
        commit->errands = errand->next;
        pw_errand_free(errand);
    }
    commit->letters = NULL;
    commit->letters_left = false;
    pw_free(commit->report);
    commit->report = NULL;
}

/* For the pool if a function of this process does it, else for workers. */
static pawl_code make_work(pw_shard *shard, pw_live *live, const pw_work *work, pawl_error *err)
{
    pw_commit *commit = &live->commit;
    pawl_activity_options activity;
    if (!pw_registry_find(shard->engine->registry, work->function, &activity)) {
        pw_ticket *ticket = pw_jobs_ticket(shard, live, work);
        if (!ticket)
            return pw_no_memory(err);
        *commit->last_ticket = ticket;
        commit->last_ticket = &ticket->next;
        return PAWL_OK;
    }
    pawl_error error = { .code = PAWL_OK };
    pw_job *job = make_job(shard, live, work, &activity, &error);
    if (!job) {
        if (err)
            *err = error;
        return error.code;
    }
    *commit->last_job = job;
    commit->last_job = &job->next;
    job->next = NULL;
    return PAWL_OK;
}

/* An attempt of an instance that is asleep came to nothing: the next one is wanted, and not to be begun yet. */
static pawl_code make_parked(pw_shard *shard, pw_live *live, pawl_error *err)
{
    const pw_commit *commit = &live->commit;
    uint64_t visit = commit->ticket ? commit->ticket->visit : commit->job_visit;
    if (!visit || !pw_transition_asleep(&commit->transition))
        return PAWL_OK;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_work work;
    pawl_code code = PAWL_OK;
    if (pw_state_work_of(&work, commit->transition.state, live->program, visit, &arena) &&
        !pw_registry_find(shard->engine->registry, work.function, NULL))
        code = make_work(shard, live, &work, err);
    else if (arena.failed)
        code = pw_no_memory(err);
    pw_arena_done(&arena);
    return code;
}

pawl_code pw_act_prepare(pw_shard *shard, pw_live *live, pawl_error *err)
{
    pw_commit *commit = &live->commit;
    const pw_transition *t = &commit->transition;
    pw_http_call **last_call = &commit->calls;
    pawl_code code = pw_live_reserve_flights(live, t->call_count + t->work_count, err);
    pawl_error error = { .code = PAWL_OK };
    commit->last_job = &commit->jobs;
    commit->last_ticket = &commit->tickets;
    for (size_t i = 0; i < t->call_count && code == PAWL_OK; i++) {
        pw_http_call *call = make_call(shard, live, &t->calls[i], t->calls[i].resilience, &error);
        if (!call) {
            code = error.code;
            break;
        }
        call->sequence = live->token + 1;
        *last_call = call;
        last_call = &call->next;
        call->next = NULL;
    }
    for (size_t i = 0; i < t->work_count && code == PAWL_OK; i++)
        if (!t->work[i].cancel)
            code = make_work(shard, live, &t->work[i], &error);
    if (code == PAWL_OK)
        code = make_parked(shard, live, &error);
    if (code == PAWL_OK)
        code = pw_hear_prepare(live, &error);
    if (code == PAWL_OK)
        code = make_letters(shard, commit, &error);
    if (code == PAWL_OK && shard->engine->on_step)
        code = make_report(commit, live, &error);
    if (code == PAWL_OK)
        return PAWL_OK;
    pw_act_drop(commit);
    if (err && error.code != PAWL_OK)
        *err = error;
    return code;
}

/* ------------------------------------------------------------------ starting and stopping */

static void forget_visit(pw_live *live, uint64_t visit, pw_flight_kind kind)
{
    for (uint32_t i = live->flight_count; i-- > 0;)
        if (live->flights[i].visit == visit && live->flights[i].kind == kind)
            pw_live_remove_flight(live, &live->flights[i]);
}

/* Nobody waits for these any more. What they still answer is dropped or only logged. */
static void cancel(pw_shard *shard, pw_live *live, const pw_transition *t)
{
    pw_str id = pw_live_id(live);
    for (size_t i = 0; i < t->outcome_count; i++) {
        if (t->outcomes[i].state != PW_CALL_ABANDONED)
            continue;
        pw_http_cancel(shard->engine->http, id, t->outcomes[i].visit);
        forget_visit(live, t->outcomes[i].visit, PW_FLIGHT_CALL);
    }
    for (size_t i = 0; i < t->work_count; i++) {
        if (!t->work[i].cancel)
            continue;
        pw_pool_cancel(shard->engine->pool, id, t->work[i].visit);
        forget_visit(live, t->work[i].visit, PW_FLIGHT_JOB);
        pw_board_take_off(pw_jobs_board(shard->engine->jobs), id, live->slot->partition,
                          t->work[i].visit, 0);
    }
}

static void start_call(pw_shard *shard, pw_live *live, pw_http_call *call)
{
    pw_live_add_flight(live, (pw_flight){ call->visit, call->attempt, PW_FLIGHT_CALL });
    pw_http_start(shard->engine->http, call);
}

static void start_job(pw_shard *shard, pw_live *live, pw_job *job)
{
    pw_live_add_flight(live, (pw_flight){ job->visit, job->attempt, PW_FLIGHT_JOB });
    job->asked_ns = pw_monotonic_ns();
    pw_pool_submit(shard->engine->pool, job);
}

/* A function may have been registered between the decision and now. */
static void look_for_functions(pw_shard *shard, pw_live *live, const pw_transition *t)
{
    for (size_t i = 0; i < t->work_count; i++)
        if (!t->work[i].cancel &&
            !pw_live_find_flight(live, t->work[i].visit, t->work[i].attempt) &&
            pw_registry_find(shard->engine->registry, t->work[i].function, NULL))
            live->check_work = true;
}

void pw_act(pw_shard *shard, pw_live *live)
{
    pw_commit *commit = &live->commit;
    const pw_transition *t = &commit->transition;
    if (commit->report)
        shard->engine->on_step(shard->engine->on_step_context, commit->report);
    /* else the next owner starts them, with the same keys */
    if (!shard->closing && shard->epochs[live->slot->partition]) {
        PW_FAULT("engine-before-act");
        cancel(shard, live, t);
        while (commit->calls) {
            pw_http_call *call = commit->calls;
            commit->calls = call->next;
            start_call(shard, live, call);
        }
        while (commit->jobs) {
            pw_job *job = commit->jobs;
            commit->jobs = job->next;
            start_job(shard, live, job);
        }
        pw_jobs_act(shard, live);
        look_for_functions(shard, live, t);
        pw_hear_act(shard, live);
        while (commit->letters) {
            pw_letter *letter = commit->letters;
            commit->letters = letter->next;
            letter->next = NULL;
            pw_letter_send(letter);
            PW_FAULT("engine-after-letter");
        }
        if (commit->letters_left)
            pw_letter_left(shard->engine);
        if (t->event_count > 0)
            pw_outbox_committed(shard->engine->outbox, t);
        PW_FAULT("engine-after-act");
    }
    pw_act_drop(commit);
}

void pw_act_stop(pw_shard *shard, pw_live *live)
{
    pw_str id = pw_live_id(live);
    for (; live->flight_count > 0;
         pw_live_remove_flight(live, &live->flights[live->flight_count - 1])) {
        const pw_flight *flight = &live->flights[live->flight_count - 1];
        if (shard->closing) /* the drivers stop everything, and may be gone already */
            continue;
        if (flight->kind == PW_FLIGHT_CALL)
            pw_http_cancel(shard->engine->http, id, flight->visit);
        else
            pw_pool_cancel(shard->engine->pool, id, flight->visit);
    }
}

/* ------------------------------------------------------------------ what is committed and nobody
 * is at */

/* A call that was committed and may have been sent, by another process or before a partition was lost. Sends it again with
 * the key that was committed; *lost: the program does not want that. */
static pawl_code send_again(pw_shard *shard, pw_live *live, const pw_call_intent *intent, bool *lost, pawl_error *err)
{
    *lost = !pw_state_resends(live->state, &shard->engine->settings, intent->visit);
    if (*lost)
        return PAWL_OK;
    pawl_error error = { .code = PAWL_OK };
    pw_resilience resilience;
    const bool said = pw_state_resilience(&resilience, live->state, intent->visit);
    pw_http_call *call = make_call(shard, live, intent, said ? &resilience : NULL, &error);
    if (call) {
        call->resent = true;
        start_call(shard, live, call);
    } else if (err) {
        *err = error;
    }
    return call ? PAWL_OK : error.code;
}

/* Every pending call that is not in flight; the first one that is not to be sent again is lost. */
static pawl_code check_calls(pw_shard *shard, pw_live *live, pw_arena *arena, pw_lost *lost, pawl_error *err)
{
    pw_call_row *rows = NULL;
    size_t count = 0;
    pawl_code code =
        pw_store_calls(shard->engine->store, pw_live_id(live), true, &rows, &count, arena, err);
    if (code == PAWL_OK)
        code = pw_live_reserve_flights(live, count, err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++) {
        const pw_call_intent *intent = &rows[i].intent;
        bool gone = false;
        if (pw_live_find_flight(live, intent->visit, intent->attempt) ||
            !pw_state_wants(live->state, intent->visit, intent->attempt))
            continue;
        code = send_again(shard, live, intent, &gone, err);
        if (code != PAWL_OK || !gone)
            continue;
        *lost = (pw_lost){ PW_EVENT_CALL_LOST, intent->visit, intent->attempt };
        return PAWL_OK; /* the rest when that is committed */
    }
    if (code == PAWL_OK)
        live->check_calls = false;
    return code;
}

/* Begins attempts for which a function was registered since, and sees that the others are on the board; the first one that
 * this process should be at, and is not, was lost. */
static pawl_code check_work(pw_shard *shard, pw_live *live, pw_arena *arena, pw_lost *gone, pawl_error *err)
{
    pw_work *work = NULL;
    size_t count = 0;
    const pw_identity identity = { pw_live_id(live), live->correlation, live->token + 1,
                                   live->created_ms };
    pawl_code code = pw_state_work(&work, &count, live->state, live->program, &identity,
                                   &shard->engine->settings, arena, err);
    if (code == PAWL_OK)
        code = pw_live_reserve_flights(live, count, err);
    if (code != PAWL_OK)
        return code;
    live->wants_function = false;
    for (size_t i = 0; i < count; i++) {
        if (pw_live_find_flight(live, work[i].visit, work[i].attempt))
            continue;
        pawl_activity_options activity;
        bool lost = false;
        if (!pw_registry_find(shard->engine->registry, work[i].function, &activity)) {
            live->wants_function = true;
            code = pw_jobs_hold(shard, live, &work[i], err);
            if (code != PAWL_OK)
                return code;
            continue;
        }
        if (!pw_jobs_release(shard, live, &work[i], &lost))
            continue; /* a worker is at it */
        if (lost) { /* some process may have run it: a lost attempt is committed before the next */
            *gone = (pw_lost){ PW_EVENT_ACTIVITY_LOST, work[i].visit, work[i].attempt };
            return PAWL_OK; /* the rest when that is committed */
        }
        pawl_error error = { .code = PAWL_OK };
        pw_job *job = make_job(shard, live, &work[i], &activity, &error);
        if (!job) {
            if (err)
                *err = error;
            return error.code;
        }
        start_job(shard, live, job);
    }
    live->check_work = false;
    return PAWL_OK;
}

pawl_code pw_act_check(pw_shard *shard, pw_live *live, pw_lost *lost, pawl_error *err)
{
    *lost = (pw_lost){ .visit = 0 };
    if (shard->closing || pw_live_asleep(live)) {
        live->check_calls = live->check_work = false; /* CONTINUE and RETRY look again */
        return PAWL_OK;
    }
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_code code = PAWL_OK;
    if (live->check_calls)
        code = check_calls(shard, live, &arena, lost, err);
    if (code == PAWL_OK && live->check_work && !lost->visit)
        code = check_work(shard, live, &arena, lost, err);
    pw_arena_done(&arena);
    return code;
}
