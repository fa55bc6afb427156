/* decide.c - one event after the other becomes a transition; what the committer says decides what
 * becomes of it.
 *
 * At most one transition of an instance is uncommitted. Memory changes only after the commit has
 * answered: until then the state of before is whole, and the arena can be rewound to it. An event
 * is given up only when it was committed, or when core says that it changes nothing. A command that
 * fails is tried again as tries.c says; anything else stays in its queue and is tried again after a while
 * that grows, with the reason kept for people to see. */
#include "engine/engine.h"
#include "base/json.h"

enum {
    CONFLICTS_MAX = 5,
    RETRY_FIRST_MS = 20,
    RETRY_MAX_MS = 5000, /* out of memory: somebody may give some back any time */
    TROUBLE_FIRST_MS = 1000,
    TROUBLE_MAX_MS = 60000,
};

/* What is decided next. */
typedef struct cause {
    pw_event_kind kind;
    pw_command *command;
    pw_http_call *call;
    pw_job *job;
    const pw_delivery_row *delivery; /* of the instance's page */
    pw_ticket *ticket; /* a worker's lease or time is over, or another is to have the job */
    uint64_t visit; /* ACTIVITY_LOST, CALL_LOST, or of the ticket */
    uint32_t attempt;
} cause;

static bool is_lost(const cause *c)
{
    return c->kind == PW_EVENT_ACTIVITY_LOST || c->kind == PW_EVENT_CALL_LOST;
}

/* ------------------------------------------------------------------ queues */

#define TAKE_FIRST(live, list, last)                                                               \
    do {                                                                                           \
        (live)->list = (live)->list->next;                                                         \
        if (!(live)->list)                                                                         \
            (live)->last = &(live)->list;                                                          \
    } while (0)

#define PUT_FIRST(live, list, last, item)                                                          \
    do {                                                                                           \
        (item)->next = (live)->list;                                                               \
        (live)->list = (item);                                                                     \
        if (!(item)->next)                                                                         \
            (live)->last = &(item)->next;                                                          \
    } while (0)

static bool take_from(pw_live *live, unsigned queue, cause *out)
{
    if (queue == 0 && live->commands) {
        *out = (cause){ .kind = live->commands->event.kind, .command = live->commands };
        TAKE_FIRST(live, commands, last_command);
        return true;
    }
    if (queue == 1 && live->calls) {
        *out = (cause){ .kind = PW_EVENT_CALL_RESULT, .call = live->calls };
        TAKE_FIRST(live, calls, last_call);
        return true;
    }
    if (queue == 2 && live->jobs) {
        *out = (cause){ .kind = PW_EVENT_ACTIVITY_RESULT, .job = live->jobs };
        TAKE_FIRST(live, jobs, last_job);
        return true;
    }
    return false;
}

static bool take_delivery(pw_shard *shard, pw_live *live, cause *out)
{
    const pw_delivery_row *row = pw_hear_next(shard, live);
    if (row)
        *out = (cause){ .kind = PW_EVENT_MESSAGE, .delivery = row };
    return row != NULL;
}

/* Jobs are handed out on the way: that is no event. */
static bool take_ticket(pw_shard *shard, pw_live *live, cause *out)
{
    while (live->tickets) {
        pw_ticket *ticket = live->tickets;
        bool timed_out;
        TAKE_FIRST(live, tickets, last_ticket);
        if (!pw_jobs_serve(shard, live, ticket, &timed_out))
            continue;
        *out = (cause){ .kind = timed_out ? PW_EVENT_ACTIVITY_RESULT : PW_EVENT_ACTIVITY_LOST,
                        .ticket = ticket,
                        .visit = ticket->visit,
                        .attempt = ticket->attempt };
        return true;
    }
    return false;
}

/* The queues take turns, so that none waits for ever; the last two are those of messages and of the board. */
static bool take_queued(pw_shard *shard, pw_live *live, cause *out)
{
    for (unsigned i = 0; i < 5; i++) {
        unsigned queue = (live->turn + i) % 5;
        if (queue < 3    ? take_from(live, queue, out)
            : queue == 3 ? take_delivery(shard, live, out)
                         : take_ticket(shard, live, out)) {
            live->turn = (uint8_t)((queue + 1) % 5);
            return true;
        }
    }
    return false;
}

static void give_back(pw_live *live, const cause *c)
{
    if (c->command) {
        pw_tries_now(c->command);
        PUT_FIRST(live, commands, last_command, c->command);
    }
    if (c->call)
        PUT_FIRST(live, calls, last_call, c->call);
    if (c->job)
        PUT_FIRST(live, jobs, last_job, c->job);
    if (c->ticket)
        PUT_FIRST(live, tickets, last_ticket, c->ticket);
    if (c->kind == PW_EVENT_DRIVE)
        live->drive = true;
    if (c->kind == PW_EVENT_PLAN)
        live->plan = true;
    /* a timer is still due, what is lost is found again, and a delivery is in its page */
}

/* The event has been dealt with. */
static void finish(pw_live *live, const cause *c)
{
    uint64_t visit = c->call ? c->call->visit : c->job ? c->job->visit : 0;
    uint32_t attempt = c->call ? c->call->attempt : c->job ? c->job->attempt : 0;
    pw_flight *flight = visit ? pw_live_find_flight(live, visit, attempt) : NULL;
    if (flight)
        pw_live_remove_flight(live, flight);
    if (c->call)
        pw_http_call_free(c->call);
    if (c->job)
        pw_job_release(c->job);
}

/* What became of it is on the board by now. */
static void finish_ticket(pw_shard *shard, const cause *c)
{
    if (c->ticket)
        pw_board_done(pw_jobs_board(shard->engine->jobs), c->ticket);
}

/* ------------------------------------------------------------------ failure */

static void progress(pw_shard *shard, pw_live *live)
{
    live->tries = 0;
    if (live->trouble.code == PAWL_OK)
        return;
    live->trouble = (pawl_error){ .code = PAWL_OK };
    pw_note_trouble(live, &live->trouble);
    pw_engine_set_trouble(shard->engine, pw_live_id(live), &live->trouble);
}

void pw_retry_later(pw_shard *shard, pw_live *live, const pawl_error *err)
{
    bool memory = err->code == PAWL_NO_MEMORY;
    uint64_t delay = memory ? RETRY_FIRST_MS : TROUBLE_FIRST_MS;
    uint64_t most = memory ? RETRY_MAX_MS : TROUBLE_MAX_MS;
    for (uint32_t i = 0; i < live->tries && delay < most; i++)
        delay *= 2;
    live->tries++;
    if (!memory) {
        live->trouble = *err;
        pw_note_trouble(live, err);
        pw_engine_set_trouble(shard->engine, pw_live_id(live), err);
    }
    if (live->retry_ns == 0) {
        live->retry_next = shard->retries;
        shard->retries = live;
    }
    live->retry_ns = pw_monotonic_ns() + (delay < most ? delay : most) * 1000000u;
}

static void fail(pw_shard *shard, pw_live *live, const cause *c, const pawl_error *err)
{
    if (c->command && err->code == PAWL_CONFLICT && pw_shard_sure(shard, live)) {
        pw_command_failed(shard, c->command, err);
        return;
    }
    if (c->command) {
        pw_answer_as_owner(shard, live, c->command, err->code, err);
        return;
    }
    give_back(live, c);
    pw_retry_later(shard, live, err);
}

/* ------------------------------------------------------------------ one event */

static pw_event make_event(pw_shard *shard, pw_live *live, const cause *c)
{
    pw_event event = { .kind = c->kind };
    if (c->command)
        event = c->command->event;
    event.now_ms = pw_engine_now(shard->engine);
    if (event.now_ms < live->last_ms)
        event.now_ms = live->last_ms;
    event.seed = pw_step_seed(pw_live_id(live), live->token + 1);
    if (c->kind == PW_EVENT_CLAIM)
        event.until_ms = c->command->lease_ms ? event.now_ms + (int64_t)c->command->lease_ms : -1;
    if (is_lost(c) || c->ticket) {
        event.visit = c->visit;
        event.attempt = c->attempt;
    }
    if (c->kind == PW_EVENT_ACTIVITY_RESULT && c->ticket)
        event.error = pw_jobs_timeout(&live->arena);
    if (c->call) {
        event.visit = c->call->visit;
        event.attempt = c->call->attempt;
        event.call = c->call->result;
        event.call.resent = c->call->resent;
    }
    if (c->job) {
        event.visit = c->job->visit;
        event.attempt = c->job->attempt;
        if (c->job->end == PW_JOB_RETURNED)
            event.payload = c->job->result;
        else
            event.error = c->job->error;
        event.retry = c->job->retry;
        event.retry_after_ms = c->job->retry_after_ms;
    }
    return event;
}

/* What of the message may become part of the state is in the instance's arena. */
static pawl_code add_delivery(pw_live *live, const pw_delivery_row *row, pw_event *event,
                              pawl_error *err)
{
    event->visit = row->visit;
    event->number = row->number;
    event->actor = pw_arena_str(&live->arena, row->actor);
    if (!event->actor.ptr)
        return pw_no_memory(err);
    pawl_code code = pw_json_parse(&event->payload, row->body, NULL, &live->arena, err);
    return code == PAWL_INVALID ? pw_error_context(err, PAWL_CORRUPT, "message %llu",
                                                   (unsigned long long)row->number)
                                : code;
}

/* A page of the plan: the state keeps what core takes of it. One is asked for at a time: the next is told by the state
 * that this one makes. */
static pawl_code add_plan(pw_shard *shard, pw_live *live, pw_event *event, pawl_error *err)
{
    pw_plan_wanted wanted = { 0 };
    pw_undo_row *rows = NULL;
    pw_undo_step *steps = NULL;
    size_t count = 0;
    bool more = false;
    const bool asked = pw_state_plan_wanted(&wanted, live->state);
    PW_ASSERT(asked);
    const pw_undo_filter filter = { .below = wanted.below,
                                    .states = PW_UNDO_LEFT,
                                    .scope = wanted.scope,
                                    .limit = wanted.most };
    pawl_code code =
        pw_store_undo(shard->engine->store, pw_live_id(live), &filter, &rows, &count, &more, &live->arena, err);
    if (code == PAWL_OK && !(steps = PW_NEW_ARRAY(&live->arena, pw_undo_step, count + 1)))
        code = pw_no_memory(err);
    if (code != PAWL_OK)
        return code;
    for (size_t i = 0; i < count; i++)
        steps[i] = rows[i].step;
    event->visit = wanted.visit;
    event->number = wanted.below;
    event->plan = steps;
    event->plan_count = count;
    event->plan_ends = !more;
    return PAWL_OK;
}

/* The commit outlives the command: what it needs of it is copied. */
static pawl_code copy_command(pw_live *live, const pw_command *command, pawl_error *err)
{
    pw_commit_item *item = &live->commit.item;
    pw_arena *arena = &live->arena;
    item->actor = pw_arena_str(arena, command->event.actor);
    if (command->correlation.len)
        item->correlation = pw_arena_str(arena, command->correlation);
    if (command->create) {
        pw_instance_new *create = PW_NEW(arena, pw_instance_new);
        if (!create)
            return pw_no_memory(err);
        const pw_instance_new *from = command->create;
        *create = (pw_instance_new){
            .namespace_ = pw_arena_str(arena, from->namespace_),
            .name = pw_arena_str(arena, from->name),
            .version = pw_arena_str(arena, from->version),
            .input_digest = pw_arena_str(arena, from->input_digest),
            .correlation = pw_arena_str(arena, from->correlation),
            .labels = pw_arena_str(arena, from->labels),
            .parent = pw_arena_str(arena, from->parent),
            .schedule = from->schedule,
            .trace = pw_arena_str(arena, from->trace),
        };
        if (from->business_key.ptr)
            create->business_key = pw_arena_str(arena, from->business_key);
        item->create = create;
    }
    if (command->inbox.key.ptr)
        item->inbox = (pw_inbox_use){
            .key = pw_arena_str(arena, command->inbox.key),
            .kind = pw_arena_str(arena, command->inbox.kind),
            .payload = pw_arena_str(arena, command->inbox.payload),
            .actor = pw_arena_str(arena, command->inbox.actor),
            .answer = pw_arena_str(arena, command->inbox.answer),
            .stored = command->inbox.stored,
        };
    if (pw_command_is_request(command)) /* what the same request is told again */
        item->inbox.answer =
            pw_arena_printf(arena, "{\"token\":%llu,\"status\":\"%s\"}", (unsigned long long)(item->token + 1),
                            pw_status_name(live->commit.transition.status));
    return arena->failed ? pw_no_memory(err) : PAWL_OK;
}

/* It is decided only to be told. */
static bool is_dry(const cause *c)
{
    return c->command && c->command->dry_run;
}

/* Core knows how much was ever registered, and only the store what is left of it. A parent is answered all the same, by core. */
static pawl_code check_plan(pw_shard *shard, const pw_live *live, const pw_event *event, pw_transition *t, pawl_error *err)
{
    uint64_t left = 0;
    if (!t->changed || event->parent.len || t->undo_count > 0 || t->message_count > 0)
        return PAWL_OK;
    pawl_code code = pw_plan_left(shard->engine, pw_live_id(live), event->task, &left, err);
    if (code == PAWL_OK && left == 0)
        *t = (pw_transition){ .code = PAWL_STATE,
                              .reason = PAWL_REASON_NO_COMPENSATION,
                              .message = PW_LIT("nothing is left that could be undone") };
    return code;
}

/* Core decides; a change is made ready to be committed. */
static pawl_code step(pw_shard *shard, pw_live *live, const cause *c, const pw_event *event,
                      pawl_error *err)
{
    pw_commit *commit = &live->commit;
    const pw_str correlation =
        c->command && c->command->create ? c->command->create->correlation : live->correlation;
    const pw_identity identity = {
        .instance = pw_live_id(live),
        .correlation = correlation,
        .sequence = live->token + 1,
        .created_ms = live->state ? live->created_ms : event->now_ms,
    };
    PW_FAULT("engine-before-decide");
    pawl_code code = pw_core_step(&commit->transition, live->program, live->state, &identity, event,
                                  &shard->engine->settings, shard->machine, &live->arena, err);
    PW_FAULT("engine-after-decide");
    if (c->delivery && commit->transition.changed && pw_hear_holds(live))
        commit->transition = (pw_transition){ .code = PAWL_CONFLICT };
    if (code == PAWL_OK && c->kind == PW_EVENT_COMPENSATE)
        code = check_plan(shard, live, event, &commit->transition, err);
    if (code != PAWL_OK || !commit->transition.changed || is_dry(c))
        return code;
    commit->item = (pw_commit_item){
        .instance = pw_live_id(live),
        .token = live->token,
        .transition = &commit->transition,
        .event = event->kind,
        .actor = c->delivery ? event->actor : (pw_str){ 0 },
        .now_ms = event->now_ms,
        .nonce = live->token == 0 ? pw_seed_next(&shard->seed) : 0,
    };
    if (c->command && (code = copy_command(live, c->command, err)) != PAWL_OK)
        return code;
    return pw_act_prepare(shard, live, err);
}

static void send(pw_shard *shard, pw_live *live, const cause *c)
{
    pw_commit *commit = &live->commit;
    commit->from_command = c->command != NULL;
    commit->command = c->command;
    commit->call = c->call;
    commit->job = c->job;
    commit->ticket = c->ticket;
    live->committing = true;
    live->drove = c->kind == PW_EVENT_DRIVE || c->kind == PW_EVENT_PLAN;
    shard->uncommitted++;
    shard->uncommitted_of[live->slot->partition]++;
    shard->waking += c->kind == PW_EVENT_TIMER;
    commit->item.epoch = shard->epochs[live->slot->partition];
    pw_committer_push(shard->engine->committer, commit);
}

/* A command from the inbox that changes nothing is consumed all the same, by a step that says why.
 */
static pawl_code refuse_stored(pw_shard *shard, pw_live *live, const cause *c,
                               const pawl_error *why, pawl_error *err)
{
    pw_commit *commit = &live->commit;
    pw_arena *arena = &live->arena;
    pw_instance_row row = { 0 };
    pawl_code code =
        pw_store_instance_get(shard->engine->store, pw_live_id(live), true, &row, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_str reason = pw_arena_str(arena, pw_str_of(why->code == PAWL_OK ? "" : why->message));
    const pw_member entry[] = {
        { PW_LIT("type"), pw_string_ref(PW_LIT("command.without-effect")) },
        { PW_LIT("key"), pw_string_ref(c->command->inbox.key) },
        { PW_LIT("kind"), pw_string_ref(c->command->inbox.kind) },
        { PW_LIT("code"), pw_string_ref(pw_str_of(pawl_code_name(why->code))) },
        { PW_LIT("message"), reason.len ? pw_string_ref(reason) : (pw_value){ 0 } },
    };
    pw_value entries = pw_object_of(arena, entry, PW_LENGTH(entry));
    int64_t now = pw_engine_now(shard->engine);
    commit->transition = (pw_transition){
        .changed = true,
        .status = live->status,
        .state = live->state,
        .state_text = row.state,
        .wake_at = row.wake_at,
        .timer_at = live->timer_at,
        .cut = live->drive,
        .entries = pw_json_text(arena, pw_array_ref(&entries, 1), PW_JSON_COMPACT),
    };
    commit->item = (pw_commit_item){
        .instance = pw_live_id(live),
        .token = live->token,
        .transition = &commit->transition,
        .event = c->kind,
        .now_ms = now < live->last_ms ? live->last_ms : now,
    };
    code = copy_command(live, c->command, err);
    if (code != PAWL_OK)
        return code;
    if (why->code != PAWL_OK) {
        const pw_member parts[] = { { PW_LIT("code"),
                                      pw_string_ref(pw_str_of(pawl_code_name(why->code))) },
                                    { PW_LIT("message"), pw_string_ref(reason) } };
        const pw_member answer[] = { { PW_LIT("error"),
                                       pw_object_of(arena, parts, PW_LENGTH(parts)) } };
        commit->item.inbox.answer =
            pw_json_text(arena, pw_object_of(arena, answer, 1), PW_JSON_COMPACT);
    }
    if (arena->failed)
        return pw_no_memory(err);
    code = pw_act_prepare(shard, live, err);
    if (code == PAWL_OK)
        send(shard, live, c);
    return code;
}

static void answer_unchanged(pw_shard *shard, pw_live *live, const cause *c, pawl_code code,
                             pawl_error *err)
{
    if (!c->command->inbox.stored || code == PAWL_IO || code == PAWL_NO_MEMORY) {
        c->command->repeated = code == PAWL_OK;
        c->command->token = live->token;
        c->command->status = live->status;
        pw_answer_as_owner(shard, live, c->command, code, err);
        return;
    }
    pawl_error failure = { .code = PAWL_OK };
    err->code = code;
    if (refuse_stored(shard, live, c, err, &failure) == PAWL_OK)
        return;
    pw_arena_rewind(&live->arena, live->commit.mark);
    pw_answer_as_owner(shard, live, c->command, failure.code, &failure);
}

/* A command of a bookmark. */
static bool has_key(pw_event_kind kind)
{
    return kind == PW_EVENT_RESUME || (kind >= PW_EVENT_CLAIM && kind <= PW_EVENT_COMMENT);
}

/* Core's own reasons, but what is not there only the store can tell from what was. */
static void unchanged(pw_shard *shard, pw_live *live, const cause *c, const pawl_error *refusal)
{
    pawl_error err = *refusal;
    pawl_code code = refusal->code;
    if (c->command && has_key(c->kind) && code == PAWL_NOT_FOUND)
        code = pw_judge_bookmark(shard, live, c->command, &err);
    else if (c->command && code == PAWL_STATE && err.reason == PAWL_REASON_NONE && pw_live_over(live))
        err.reason = PAWL_REASON_ENDED;
    if (c->command) {
        answer_unchanged(shard, live, c, code, &err);
        return;
    }
    finish(live, c);
    finish_ticket(shard, c);
    if (c->delivery)
        pw_hear_refused(shard, live, code);
    bool again = false; /* it would be decided at once again, and for ever */
    if (c->kind == PW_EVENT_TIMER) {
        live->timer_at = pw_state_timer(live->state, &shard->engine->settings);
        again = pw_engine_due(shard->engine, live->timer_at);
    } else if (c->kind == PW_EVENT_DRIVE) {
        again = live->drive = pw_state_cut(live->state);
    } else if (c->kind == PW_EVENT_PLAN) {
        again = live->plan = pw_state_plan_wanted(&(pw_plan_wanted){ 0 }, live->state);
    } else if (is_lost(c) || c->ticket) {
        again = true;
    }
    if (again) {
        (void)pw_fail(&err, PAWL_CORRUPT, "the event '%s' was due and changed nothing",
                      pw_event_name(c->kind));
        pw_retry_later(shard, live, &err);
    }
}

/* The instance is there. A row whose first letter started it has had its effect; another one that
 * says to start it is refused. */
static void start_again(pw_shard *shard, pw_live *live, const cause *c)
{
    if (!c->command->inbox.stored) {
        pw_answer_existing(shard, live, c->command);
        return;
    }
    bool used = false;
    pawl_error err = { .code = PAWL_OK };
    pawl_code code = pw_command_used(shard, c->command, &used, &err);
    if (code != PAWL_OK || used) {
        pw_answer_as_owner(shard, live, c->command, code, &err);
        return;
    }
    live->commit = (pw_commit){ .shard = shard, .live = live, .mark = pw_arena_at(&live->arena) };
    c->command->create = NULL;
    code = pw_fail(&err, PAWL_CONFLICT, "the instance was started before");
    answer_unchanged(shard, live, c, code, &err);
}

/* False: it was answered. A request that comes again is told so even if the token has changed: that may be its own
 * doing. */
static bool may_go_on(pw_shard *shard, pw_live *live, pw_command *command)
{
    if (pw_command_is_request(command) && pw_command_was_answered(shard, live, command))
        return false;
    if (!command->if_token || command->if_token == live->token)
        return true;
    pawl_error err;
    pawl_code code = pw_fail_reason(&err, PAWL_CONFLICT, PAWL_REASON_STALE_TOKEN,
                                    "the instance has the token %llu by now, not %llu", (unsigned long long)live->token,
                                    (unsigned long long)command->if_token);
    pw_answer_as_owner(shard, live, command, code, &err);
    return false;
}

/* A worker's answer to an attempt that is over has no effect, and is not written down: who gave it is told. */
static bool is_late(pw_shard *shard, pw_live *live, const cause *c)
{
    pawl_error err;
    if (!c->command || c->kind != PW_EVENT_ACTIVITY_RESULT ||
        pw_state_wants(live->state, c->command->event.visit, c->command->event.attempt))
        return false;
    (void)pw_fail_reason(&err, PAWL_LOST, PAWL_REASON_JOB_OVER, "this attempt is over");
    pw_answer_as_owner(shard, live, c->command, PAWL_LOST, &err);
    return true;
}

/* The transition that changes nothing as an error; it is copied before the arena that holds it is rewound. */
static pawl_error refusal_of(const pw_transition *t)
{
    pawl_error err = { .code = PAWL_OK };
    if (t->code != PAWL_OK)
        (void)pw_fail_reason(&err, t->code, t->reason, PW_FMT, PW_ARG(t->message));
    return err;
}

static void decide(pw_shard *shard, pw_live *live, const cause *c)
{
    bool start = c->kind == PW_EVENT_START;
    if (start && live->state) {
        start_again(shard, live, c);
        return;
    }
    if (c->command && live->state &&
        (!may_go_on(shard, live, c->command) || is_late(shard, live, c)))
        return;
    if (start) {
        pw_program_unref(live->program);
        live->program = pw_program_ref(c->command->program);
        live->token = 0;
        live->last_ms = 0;
    }
    pw_live_compact(live);
    pw_commit *commit = &live->commit;
    *commit = (pw_commit){ .shard = shard, .live = live, .mark = pw_arena_at(&live->arena),
                            .begun_ns = pw_monotonic_ns(), .ticket = c->ticket };
    if (c->command && c->kind == PW_EVENT_ACTIVITY_RESULT) {
        commit->job_visit = c->command->event.visit;
        commit->job_attempt = c->command->event.attempt;
    }
    pawl_error err = { .code = PAWL_OK };
    if (c->command && c->command->refused) {
        err = c->command->error;
        answer_unchanged(shard, live, c, err.code, &err);
        return;
    }
    pw_event event = make_event(shard, live, c);
    pawl_code code = c->delivery ? add_delivery(live, c->delivery, &event, &err)
                     : c->kind == PW_EVENT_PLAN ? add_plan(shard, live, &event, &err)
                                                : PAWL_OK;
    if (code == PAWL_OK)
        code = step(shard, live, c, &event, &err);
    if (code != PAWL_OK && err.code == PAWL_OK)
        (void)pw_fail(&err, code, "the event '%s' could not be decided", pw_event_name(c->kind));
    const bool foreseen = code == PAWL_OK && is_dry(c) && commit->transition.changed;
    if (code == PAWL_OK && is_dry(c) && commit->transition.code == PAWL_OK)
        code = pw_foresee(shard, live, &commit->transition, c->command, &err);
    else if (code == PAWL_OK && commit->transition.changed) {
        send(shard, live, c);
        return;
    }
    const pawl_error refusal = refusal_of(&commit->transition);
    pw_arena_rewind(&live->arena, commit->mark);
    if (start) {
        pw_program_unref(live->program);
        live->program = NULL;
    }
    if (code != PAWL_OK)
        fail(shard, live, c, &err);
    else if (foreseen)
        pw_answer_as_owner(shard, live, c->command, PAWL_OK, NULL);
    else
        unchanged(shard, live, c, &refusal);
}

/* ------------------------------------------------------------------ what comes next */

static bool starts(const pw_live *live)
{
    return live->commands && live->commands->event.kind == PW_EVENT_START;
}

/* Answers every waiting command with what kept the instance from being read; a start makes it, unless it was
 * there and is cleaned up: then it is found. */
static void refuse_commands(pw_shard *shard, pw_live *live, const pawl_error *err)
{
    cause c;
    while ((live->gone || !(err->code == PAWL_NOT_FOUND && starts(live))) && take_from(live, 0, &c)) {
        if (live->gone && c.kind == PW_EVENT_START && !c.command->inbox.stored)
            pw_answer_existing(shard, live, c.command);
        else
            pw_answer_as_owner(shard, live, c.command, err->code, err);
    }
}

/* False: it cannot be read now. */
static bool make_loaded(pw_shard *shard, pw_live *live)
{
    pawl_error err = { .code = PAWL_OK };
    pawl_code code = pw_live_load(live, shard->engine->store, shard->engine->programs,
                                  &shard->engine->settings, &err);
    live->gone = code == PAWL_NOT_FOUND && err.reason == PAWL_REASON_CLEANED;
    if (code == PAWL_OK) {
        live->load = false;
        progress(shard, live);
        return true;
    }
    if (code == PAWL_NOT_FOUND) {
        if (!live->gone)
            (void)pw_fail_reason(&err, PAWL_NOT_FOUND, PAWL_REASON_NO_INSTANCE, "there is no instance " PW_FMT,
                                 PW_ARG(pw_live_id(live)));
        live->load = live->hear = false;
    }
    refuse_commands(shard, live, &err);
    cause c;
    while (code == PAWL_NOT_FOUND && take_queued(shard, live, &c))
        finish(live, &c); /* an answer for an instance that is not there */
    if (code != PAWL_NOT_FOUND && live->retry_ns == 0)
        pw_retry_later(shard, live, &err);
    return false;
}

/* True: something is lost that the state wants, or could not be started. */
static bool check(pw_shard *shard, pw_live *live, cause *out)
{
    pawl_error err = { .code = PAWL_OK };
    pw_lost lost;
    if (pw_act_check(shard, live, &lost, &err) != PAWL_OK) {
        pw_retry_later(shard, live, &err);
        return false;
    }
    *out = (cause){ .kind = lost.kind, .visit = lost.visit, .attempt = lost.attempt };
    return lost.visit != 0;
}

bool pw_decide_holds(const pw_shard *shard, const pw_live *live)
{
    return pw_disk_state_of(shard->engine) != PW_DISK_OK && live->state && pw_state_is_schedule(live->state);
}

static bool next(pw_shard *shard, pw_live *live, cause *out)
{
    if (pw_disk_is_full(shard->engine))
        return false;
    if (live->retry_ns || pw_decide_holds(shard, live)) /* something cannot be done now; a command may help */
        return take_from(live, 0, out);
    if ((live->check_calls || live->check_work) && check(shard, live, out))
        return true;
    if (live->retry_ns)
        return take_from(live, 0, out);
    bool inner = live->drive || live->plan;
    if (!(inner && !live->drove) && take_queued(shard, live, out))
        return true;
    if (live->retry_ns)
        return false; /* its deliveries could not be read */
    if (inner) {
        *out = (cause){ .kind = live->drive ? PW_EVENT_DRIVE : PW_EVENT_PLAN };
        *(live->drive ? &live->drive : &live->plan) = false;
        return true;
    }
    live->drove = false;
    *out = (cause){ .kind = PW_EVENT_TIMER };
    return pw_engine_due(shard->engine, live->timer_at);
}

void pw_decide(pw_shard *shard, pw_live *live)
{
    while (!live->committing && !shard->closing && pw_shard_sure(shard, live)) {
        if (!live->state) {
            bool queued = live->commands || live->calls || live->jobs || live->tickets || live->load;
            bool load = !starts(live) || live->load;
            if (load && (!queued || (live->retry_ns && !live->commands)))
                return;
            if (load && !make_loaded(shard, live) && !starts(live))
                return;
        }
        cause c;
        if (!live->state ? !take_from(live, 0, &c) : !next(shard, live, &c))
            return;
        decide(shard, live, &c);
    }
}

/* ------------------------------------------------------------------ the commit has answered */

/* From when it was due to when its step is on disk. Of one that waits for no time (it was read again meanwhile) nothing is known. */
static void tell_lateness(pw_shard *shard, const pw_live *live)
{
    if (live->timer_at == PW_WAKE_NEVER)
        return;
    int64_t late_ms = 0;
    if (__builtin_sub_overflow(pw_engine_now(shard->engine), live->timer_at, &late_ms))
        return; /* a damaged row */
    pw_histogram_add(&shard->engine->lateness, late_ms > 0 ? (uint64_t)late_ms * 1000u : 0);
}

static void adopt(pw_shard *shard, pw_live *live, const cause *c)
{
    const pw_commit *commit = &live->commit;
    const pw_transition *t = &commit->transition;
    const bool slept = live->state && pw_live_asleep(live);
    pw_count_step(shard->engine, &shard->counts, live);
    const pw_note_before before = { live->state ? live->status : PW_PENDING, live->state && pw_live_over(live) };
    if (c->kind == PW_EVENT_TIMER)
        tell_lateness(shard, live);
    if (commit->item.create) {
        live->correlation = commit->item.create->correlation;
        live->trace = commit->item.create->trace;
        live->created_ms = commit->item.now_ms;
        live->compact_at = 64 * 1024 + 4 * live->arena.used;
    }
    live->state = t->state;
    live->status = t->status;
    live->token = commit->item.token + 1;
    live->last_ms = commit->item.now_ms;
    live->timer_at = t->timer_at;
    live->drive = t->cut;
    live->plan = pw_state_plan_wanted(&(pw_plan_wanted){ 0 }, t->state);
    live->load = false;
    if (c->kind == PW_EVENT_RETRY || (slept && !pw_live_asleep(live))) /* what came to nothing meanwhile */
        live->check_calls = live->check_work = true;
    progress(shard, live);
    finish(live, c);
    if (c->kind == PW_EVENT_MESSAGE)
        pw_hear_taken(live);
    pw_hear_moved(live);
    pw_note_step(shard, live, &before);
    pw_act(shard, live);
    finish_ticket(shard, c);
    if (!c->command)
        return;
    c->command->token = live->token;
    c->command->status = live->status;
    pw_answer(c->command, PAWL_OK, NULL);
}

static void undo(pw_shard *shard, pw_live *live, const cause *c, pawl_code code)
{
    pw_commit *commit = &live->commit;
    pawl_error err = commit->item.error;
    if (err.code != code)
        (void)pw_fail(&err, code, "the step could not be committed");
    pw_act_drop(commit);
    pw_arena_rewind(&live->arena, commit->mark);
    bool start = commit->item.create != NULL;
    if (start) {
        pw_program_unref(live->program);
        live->program = NULL;
        live->load = live->watches != NULL; /* whether it is there, the store must say */
    }
    if (code == PAWL_CONFLICT && commit->item.used && c->command && c->command->inbox.stored) {
        pw_answer_as_owner(shard, live, c->command, PAWL_OK, NULL); /* the same row, by another letter */
        return;
    }
    if (start && code == PAWL_CONFLICT && c->command && c->command->inbox.stored) {
        live->load = true; /* what is there says what to make of it */
        give_back(live, c);
        return;
    }
    if (!start && code == PAWL_CONFLICT && live->tries < CONFLICTS_MAX && !shard->closing) {
        live->tries++; /* what is in memory is not what is stored: read it, and decide again */
        pw_live_forget(live);
        live->load = true;
        if (c->command || !commit->from_command)
            give_back(live, c);
        return;
    }
    if (commit->from_command && !c->command)
        return; /* its caller was told */
    if (start && code == PAWL_CONFLICT)
        pw_answer_existing(shard, live, c->command);
    else if ((shard->closing || !shard->epochs[live->slot->partition]) && !c->command) {
        finish(live, c); /* the next owner finds it again */
        finish_ticket(shard, c);
    } else
        fail(shard, live, c, &err);
}

void pw_decided(pw_shard *shard, pw_commit *commit)
{
    pw_live *live = commit->live;
    cause c = { .kind = commit->item.event,
                .command = commit->command,
                .call = commit->call,
                .job = commit->job,
                .ticket = commit->ticket };
    if (c.ticket) {
        c.visit = c.ticket->visit;
        c.attempt = c.ticket->attempt;
    }
    PW_ASSERT(live->committing && shard->uncommitted > 0);
    live->committing = false;
    shard->uncommitted--;
    shard->uncommitted_of[live->slot->partition]--;
    shard->waking -= c.kind == PW_EVENT_TIMER;
    commit->command = NULL;
    commit->call = NULL;
    commit->job = NULL;
    commit->ticket = NULL;
    if (commit->item.code == PAWL_OK)
        adopt(shard, live, &c);
    else
        undo(shard, live, &c, commit->item.code);
}
