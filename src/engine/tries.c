/* tries.c - commands that the store did not take are decided again.
 *
 *     comes --> decided ----------------------------------------------> answered
 *      ^           '-- the store failed, a lost race -------------.       ^
 *      '-- its time has come -- waits <-- another try is allowed -+-- no -'
 *
 * It is decided again only when it is certain that nothing of it was committed: after an unknown outcome the committer
 * looks first. So it has its effect once: a start has the same id, and a bookmark is consumed or it is not. While the
 * store fails the committer may hold it for long: then it waits here as well, is counted as often, and has its answer when
 * that is over, as if it had been handed back each time.
 *
 * How often   A start as the fault policy has it for startups, a resume as it has it for resumes; what else there is is
 *             tried again with the delays of a resume. No command is with its shard for longer than DatabaseOperation
 *             (store_ms), wherever it is: then its caller is told, also if the store has not said anything at all.
 * Threads     The shard's only. Nobody sleeps: what waits is in a list, the earliest first.
 * Ownership   A command is its caller's. It is in `callers` from its arrival to its answer.
 *
 * Memory that ran out is told at once: who waits here holds some.
 *
 * Rows of the inbox are not tried here: they stay where they are, and are read again. */
#include "engine/engine.h"

#define NS_PER_MS 1000000u

enum { ROOM_AROUND = 64 }; /* "(tried ... )" with the largest numbers */

/* ------------------------------------------------------------------ the two lists */

void pw_tries_begin(pw_shard *shard, pw_command *command)
{
    pw_tries *t = &command->tries;
    if (t->shard || command->letter)
        return;
    *t = (pw_tries){ .shard = shard, .older = shard->newest_caller, .began_ns = pw_monotonic_ns() };
    if (t->older)
        t->older->tries.newer = command;
    else
        shard->oldest_caller = command;
    shard->newest_caller = command;
}

static void unlink_waiting(pw_shard *shard, pw_command *command)
{
    pw_command **at = &shard->waiting;
    while (*at != command)
        at = &(*at)->tries.next;
    *at = command->tries.next;
    command->tries.next = NULL;
    command->tries.due_ns = 0;
}

void pw_tries_end(pw_command *command)
{
    pw_tries *t = &command->tries;
    if (!t->shard)
        return;
    if (t->due_ns)
        unlink_waiting(t->shard, command);
    if (t->older)
        t->older->tries.newer = t->newer;
    else
        t->shard->oldest_caller = t->newer;
    if (t->newer)
        t->newer->tries.older = t->older;
    else
        t->shard->newest_caller = t->older;
    t->shard = NULL;
}

void pw_tries_now(pw_command *command)
{
    if (command->tries.due_ns)
        unlink_waiting(command->tries.shard, command);
}

static void make_waiting(pw_shard *shard, pw_command *command, uint64_t due_ns)
{
    pw_command **at = &shard->waiting;
    while (*at && (*at)->tries.due_ns <= due_ns)
        at = &(*at)->tries.next;
    command->tries.due_ns = due_ns;
    command->tries.next = *at;
    *at = command;
}

/* ------------------------------------------------------------------ what failed */

static pw_fault_kind kind_of(const pw_command *command)
{
    return command->event.kind == PW_EVENT_START ? PW_FAULT_STARTUP : PW_FAULT_RESUME;
}

/* Somebody else was first: as little the caller's fault as a store that is not there. */
static pw_error_class class_of(const pawl_error *err)
{
    return err->code == PAWL_CONFLICT ? PW_CLASS_STORE : pw_error_class_of_code(err->code);
}

static uint64_t spent_ms(const pw_command *command, uint64_t now_ns)
{
    return (now_ns - command->tries.began_ns) / NS_PER_MS;
}

static pw_fault_result judge(pw_shard *shard, const pw_command *command, const pawl_error *err, uint64_t now_ns,
                             pw_arena *arena)
{
    const pw_fault_policy *policy = shard->engine->settings.faults;
    const pw_fault_kind kind = kind_of(command);
    pw_retry_settings retry = policy->retry[kind];
    if (kind == PW_FAULT_RESUME && command->event.kind != PW_EVENT_RESUME)
        retry.count = PW_RETRY_UNLIMITED;
    const pw_fault_facts facts = {
        .kind = kind,
        .class_ = class_of(err),
        .retry = &retry,
        .attempts = command->tries.made,
        .first_ms = 0,
        .now_ms = (int64_t)spent_ms(command, now_ns),
        .seed = pw_seed_next(&shard->seed),
        .instance = command->instance,
    };
    return pw_fault_decide(policy, &facts, arena);
}

/* The last answer: the error, how often that was, and what a person should do; the whole of that, whatever the error says.
 * What is with the committer all that time may be committed yet. */
static void give_up(pw_shard *shard, pw_command *command, const pawl_error *cause, uint64_t now_ns, pw_str action)
{
    pawl_error err = *cause;
    const unsigned made = command->tries.made;
    const bool unsure = pw_shard_withdraw(shard, command);
    if (unsure)
        action = PW_LIT("It may be committed yet: look, before you ask again.");
    const int most = action.len + ROOM_AROUND < sizeof err.message ? (int)(sizeof err.message - ROOM_AROUND - action.len) : 0;
    (void)pw_fail(&err, cause->code, "%.*s (tried %u time%s in %llu ms). " PW_FMT, most, cause->message, made,
                  made == 1 ? "" : "s", (unsigned long long)spent_ms(command, now_ns), PW_ARG(action));
    err.native = cause->native;
    err.file = cause->file;
    err.line = cause->line;
    err.reason = cause->reason;
    atomic_fetch_add_explicit(&shard->engine->tried[kind_of(command)].failed, 1, memory_order_relaxed);
    pw_note_command(command, cause, false, 0);
    pw_answer(command, err.code, &err);
}

void pw_command_failed(pw_shard *shard, pw_command *command, const pawl_error *err)
{
    const bool transient = err->code == PAWL_IO || err->code == PAWL_CONFLICT;
    pw_tries *t = &command->tries;
    if (!transient || !t->shard || shard->closing) {
        (void)pw_shard_withdraw(shard, command);
        pw_answer(command, err->code, err);
        return;
    }
    if (t->due_ns)
        return; /* counted before: the committer has handed it back since */
    pawl *p = shard->engine;
    const uint64_t now = pw_monotonic_ns();
    pw_arena arena;
    pw_arena_init(&arena, 0);
    t->made++;
    command->error = *err;
    pw_fault_result result = judge(shard, command, err, now, &arena);
    const uint64_t spent = spent_ms(command, now);
    if (result.should_retry && spent < p->store_ms && result.retry_delay_ms < p->store_ms - spent) {
        atomic_fetch_add_explicit(&p->tried[kind_of(command)].retried, 1, memory_order_relaxed);
        pw_note_command(command, err, true, result.retry_delay_ms);
        make_waiting(shard, command, now + result.retry_delay_ms * NS_PER_MS);
    } else {
        if (arena.failed)
            result.recommended_action = PW_LIT("Ask again.");
        give_up(shard, command, err, now, result.recommended_action);
    }
    pw_arena_done(&arena);
}

/* ------------------------------------------------------------------ time */

static uint64_t deadline_ns(const pw_shard *shard, const pw_command *command)
{
    const uint64_t ms = shard->engine->store_ms, began = command->tries.began_ns;
    return ms > (UINT64_MAX - began) / NS_PER_MS ? UINT64_MAX : began + ms * NS_PER_MS;
}

/* Its time is over, wherever it is. */
static void expire(pw_shard *shard, pw_command *command, uint64_t now_ns)
{
    pawl_error err = command->error;
    if (command->tries.made == 0 && !pw_engine_degraded(shard->engine, &err))
        (void)pw_fail(&err, PAWL_IO, "the store has not answered within %llu ms (DatabaseOperation)",
                      (unsigned long long)shard->engine->store_ms);
    if (command->tries.made == 0)
        command->tries.made = 1;
    give_up(shard, command, &err, now_ns, PW_LIT("Nothing of it was committed: ask again when the store works."));
}

void pw_tries_work(pw_shard *shard)
{
    const uint64_t now = pw_monotonic_ns();
    while (shard->oldest_caller && deadline_ns(shard, shard->oldest_caller) <= now)
        expire(shard, shard->oldest_caller, now);
    pw_command *due = NULL, **last = &due;
    while (shard->waiting && shard->waiting->tries.due_ns <= now) { /* one that fails again waits behind these */
        pw_command *command = shard->waiting;
        shard->waiting = command->tries.next;
        command->tries.due_ns = 0;
        command->tries.next = NULL;
        *last = command;
        last = &command->tries.next;
    }
    while (due) {
        pw_command *command = due;
        due = command->tries.next;
        command->tries.next = NULL;
        pw_shard_command(shard, command);
    }
}

uint64_t pw_tries_next_ns(const pw_shard *shard)
{
    uint64_t next = shard->oldest_caller ? deadline_ns(shard, shard->oldest_caller) : UINT64_MAX;
    if (shard->waiting && shard->waiting->tries.due_ns < next)
        next = shard->waiting->tries.due_ns;
    return next;
}

/* ------------------------------------------------------------------ nobody tries any more */

/* What is with the committer is answered when that hands it back. */
static void end_waiting(pw_shard *shard, pw_command *command, const pawl_error *err)
{
    if (pw_shard_commits(shard, command))
        pw_tries_now(command);
    else
        pw_answer(command, err->code, err);
}

void pw_tries_close(pw_shard *shard)
{
    while (shard->waiting) {
        pw_command *command = shard->waiting;
        pawl_error err;
        const pawl_error cause = command->error;
        (void)pw_fail(&err, PAWL_BUSY, "closing; it was tried %u time%s, and was not committed: %.300s",
                      command->tries.made, command->tries.made == 1 ? "" : "s", cause.message);
        end_waiting(shard, command, &err);
    }
}

void pw_tries_drop(pw_shard *shard, uint64_t partitions)
{
    for (pw_command *command = shard->waiting, *next = NULL; command; command = next) {
        pawl_error err;
        next = command->tries.next;
        if (!(partitions >> pw_store_partition(command->instance) & 1))
            continue;
        (void)pw_shard_not_ours(shard, command->instance, &err);
        end_waiting(shard, command, &err);
    }
}
