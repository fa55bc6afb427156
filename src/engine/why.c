/* why.c - why an instance is where it is: what pawl_show has, in sentences. For each thing that it waits for: why, what will move
 * it, when that is at the latest as far as anybody knows, and who can do it. */
#include "engine/audit.h"
#include "engine/engine.h"
#include "base/json.h"

typedef struct why {
    pawl *p;
    pw_str id;
    pw_value instance; /* as pawl_show gives it */
    pw_arena *arena;
} why;

typedef struct answer {
    pw_str why, moves, at, by, since;
} answer;

static pw_str get(pw_value v, const char *name)
{
    return pw_text(pw_get(v, pw_str_of(name)));
}

static pw_str or_else(pw_str text, const char *otherwise)
{
    return text.len ? text : pw_str_of(otherwise);
}

/* Of an error, what is short: its title, or its type. */
static pw_str error_of(pw_value error, pw_arena *arena)
{
    pw_str title = get(error, "title"), detail = get(error, "detail"), type = get(error, "type");
    if (title.len && detail.len)
        return pw_arena_printf(arena, PW_FMT ": " PW_FMT, PW_ARG(title), PW_ARG(detail));
    return title.len ? title : detail.len ? detail : or_else(type, "an error");
}

/* ------------------------------------------------------------------ one thing that it waits for */

static void of_person(const why *w, pw_value wait, answer *a)
{
    pw_str key = get(wait, "key"), to = get(wait, "assignedTo"), claimed = get(wait, "claimedBy");
    const pw_value candidates = pw_get_lit(wait, "candidates");
    a->why = pw_arena_printf(w->arena, "a person is to answer '" PW_FMT "'%s" PW_FMT, PW_ARG(or_else(get(wait, "title"), "a task")),
                             claimed.len ? ", and it is claimed by " : "", PW_ARG(claimed));
    a->by = claimed.len ? claimed : to;
    if (!a->by.len)
        a->by = pw_is(candidates, PW_NONE) ? PW_LIT("anybody") : pw_json_text(w->arena, candidates, PW_JSON_COMPACT);
    a->moves = pw_arena_printf(w->arena, "an answer: pawl complete " PW_FMT " " PW_FMT, PW_ARG(w->id), PW_ARG(key));
}

static void of_timer(const why *w, pw_value wait, answer *a)
{
    a->at = get(wait, "dueAt");
    a->by = PW_LIT("the clock");
    if (pw_is(pw_get_lit(wait, "schedule"), PW_OBJECT)) {
        a->why = PW_LIT("it is a schedule, and its next start is not due yet");
        a->moves = PW_LIT("its time");
        return;
    }
    a->why = pw_arena_printf(w->arena, "it waits until " PW_FMT, PW_ARG(a->at));
    a->moves = pw_arena_printf(w->arena, "its time; earlier: pawl resume " PW_FMT " " PW_FMT, PW_ARG(w->id), PW_ARG(get(wait, "key")));
}

static void of_message(const why *w, pw_value wait, answer *a)
{
    const pw_value listens = pw_get_lit(wait, "listens");
    pw_str what = pw_is(listens, PW_NONE) ? (pw_str){ "", 0 } : pw_json_text(w->arena, listens, PW_JSON_COMPACT);
    a->why = pw_arena_printf(w->arena, "it listens, and no event has come that fits%s" PW_FMT, what.len ? ": " : "", PW_ARG(what));
    a->moves = PW_LIT("an event that fits, by `pawl send` or POST /v1/events");
    a->by = PW_LIT("who sends it");
}

/* How the child is: only its head is read. */
static void of_child(const why *w, pw_value wait, answer *a)
{
    pw_str child = get(wait, "child");
    pw_instance_row row = { 0 };
    const bool found = pw_store_instance_get(w->p->store, child, false, &row, w->arena, NULL) == PAWL_OK;
    a->why = pw_arena_printf(w->arena, "it waits for its child " PW_FMT ", which is %s", PW_ARG(child),
                             found ? pw_status_name(row.status) : "not there yet");
    a->moves = pw_arena_printf(w->arena, "the child's end: pawl why " PW_FMT, PW_ARG(child));
    a->by = child;
}

/* An attempt has failed, and the next has its time. False: none waits. */
static bool is_delayed(const why *w, pw_value wait, answer *a)
{
    int64_t attempt = 0;
    pw_str due = get(wait, "dueAt");
    if (!due.len)
        return false;
    (void)pw_integer(pw_get_lit(wait, "attempt"), &attempt);
    if (attempt > 1)
        a->why = pw_arena_printf(w->arena, "attempt %lld has failed (" PW_FMT "), and the next is not due yet", (long long)attempt - 1,
                                 PW_ARG(error_of(pw_get_lit(wait, "error"), w->arena)));
    else
        a->why = pw_arena_printf(w->arena, "what it tried has failed (" PW_FMT "), and the next try is not due yet",
                                 PW_ARG(error_of(pw_get_lit(wait, "error"), w->arena)));
    a->at = due;
    a->by = PW_LIT("the clock");
    a->moves = pw_arena_printf(w->arena, "its time; at once: pawl retry " PW_FMT, PW_ARG(w->id));
    return true;
}

/* By the breaker of its service; where that is closed, by its rate. */
static void of_held(const why *w, pw_value breaker, pw_str service, answer *a)
{
    pw_str state = get(breaker, "state");
    a->at = get(breaker, "until");
    if (pw_str_is(state, "closed")) {
        a->why = pw_arena_printf(w->arena, "its call of " PW_FMT " is held: only so many may go in a time", PW_ARG(service));
        a->moves = PW_LIT("its turn");
        a->by = PW_LIT("the clock");
        return;
    }
    const bool forced = pw_str_is(state, "open") && !a->at.len;
    a->why = pw_arena_printf(w->arena, "its call of " PW_FMT " is held: its breaker is %s" PW_FMT, PW_ARG(service),
                             forced ? "forced " : "", PW_ARG(state));
    a->by = forced ? PW_LIT("an operator") : service;
    a->moves = pw_arena_printf(w->arena, "%spawl breaker auto " PW_FMT,
                               forced ? "" : "a call that succeeds, which is sent to try; before: ", PW_ARG(service));
}

static void of_call(const why *w, pw_value wait, answer *a)
{
    pw_str where = get(wait, "where"), service = or_else(get(wait, "service"), "the service");
    if (is_delayed(w, wait, a))
        return;
    a->by = service;
    a->moves = PW_LIT("the answer, or the end of its time");
    if (pw_str_is(where, "held")) {
        of_held(w, pw_get_lit(wait, "breaker"), service, a);
    } else if (pw_str_is(where, "queued")) {
        a->why = pw_arena_printf(w->arena, "its call of " PW_FMT " is queued: as many as may be are under way", PW_ARG(service));
        a->moves = PW_LIT("a call before it that ends");
    } else {
        a->why = pw_arena_printf(w->arena, "its call of " PW_FMT " %s", PW_ARG(service),
                                 where.len ? "was sent, and is not answered yet" : "is committed; who makes it is the owner of the store");
    }
}

static void of_activity(const why *w, pw_value wait, answer *a)
{
    pw_str function = get(wait, "function"), job = get(wait, "job"), worker = get(wait, "worker"), reason = get(wait, "reason");
    if (is_delayed(w, wait, a))
        return;
    if (pw_str_is(job, "leased")) {
        a->why = pw_arena_printf(w->arena, "worker '" PW_FMT "' is at its job '" PW_FMT "'", PW_ARG(worker), PW_ARG(function));
        a->moves = PW_LIT("the worker's answer; without a sign of it the job is given to another when its lease ends");
        a->by = worker;
        a->at = get(wait, "leaseUntil");
    } else if (job.len) {
        a->why = pw_arena_printf(w->arena, "its job '" PW_FMT "' waits for a worker%s" PW_FMT, PW_ARG(function), reason.len ? ": " : "",
                                 PW_ARG(reason));
        a->moves = pw_arena_printf(w->arena, "a worker that polls for '" PW_FMT "'", PW_ARG(function));
        a->by = PW_LIT("a worker");
    } else {
        a->why = pw_arena_printf(w->arena, "'" PW_FMT "' is being done%s", PW_ARG(function),
                                 w->p->mode == PAWL_OWN ? "" : ", or waits for a worker: its owner knows");
        a->moves = PW_LIT("its result, or the end of its time");
        a->by = function;
    }
}

static void of_incident(const why *w, pw_value wait, answer *a)
{
    const pw_value incident = pw_get_lit(w->instance, "incident");
    a->why = pw_arena_printf(w->arena, "its task " PW_FMT " has failed: " PW_FMT, PW_ARG(get(wait, "task")),
                             PW_ARG(error_of(pw_get_lit(wait, "error"), w->arena)));
    a->moves = or_else(get(incident, "recommendedAction"), "a person who retries, skips, edits, or gives up");
    a->by = PW_LIT("a person");
    if (!get(wait, "since").len)
        a->since = get(incident, "createdAt");
}

static void of_other(const why *w, pw_str kind, pw_value wait, answer *a)
{
    if (pw_str_is(kind, "continue")) { /* of the whole, or of what has come meanwhile */
        a->why = or_else(get(wait, "reason"), "what came of it is kept until the instance goes on");
        a->moves = pw_arena_printf(w->arena, "pawl continue " PW_FMT, PW_ARG(w->id));
        a->by = PW_LIT("a person");
    } else if (pw_str_is(kind, "start")) {
        a->at = get(wait, "startAt");
        a->why = PW_LIT("it begins later");
        a->moves = PW_LIT("its time");
        a->by = PW_LIT("the clock");
    } else if (pw_str_is(kind, "trouble")) {
        a->why = pw_arena_printf(w->arena, "it should move, and cannot: " PW_FMT, PW_ARG(get(wait, "reason")));
        a->moves = PW_LIT("its owner tries again by itself once that is set right");
        a->by = PW_LIT("an operator");
    } else {
        a->why = PW_LIT("it is ready to go on");
        a->moves = PW_LIT("its owner, at once");
        a->by = PW_LIT("the engine");
    }
}

static answer answer_of(const why *w, pw_value wait)
{
    answer a = { .since = get(wait, "since") };
    pw_str kind = get(wait, "kind");
    if (pw_str_is(kind, "user-action"))
        of_person(w, wait, &a);
    else if (pw_str_is(kind, "timer"))
        of_timer(w, wait, &a);
    else if (pw_str_is(kind, "external-message"))
        of_message(w, wait, &a);
    else if (pw_str_is(kind, "child"))
        of_child(w, wait, &a);
    else if (pw_str_is(kind, "call"))
        of_call(w, wait, &a);
    else if (pw_str_is(kind, "activity"))
        of_activity(w, wait, &a);
    else if (pw_str_is(kind, "incident"))
        of_incident(w, wait, &a);
    else if (!pw_str_is(kind, "retry") || !is_delayed(w, wait, &a))
        of_other(w, kind, wait, &a);
    if (!a.at.len)
        a.at = get(wait, "timeoutAt");
    return a;
}

static pw_value text(pw_str s)
{
    return s.len ? pw_string_ref(s) : (pw_value){ 0 };
}

static pw_value described(const why *w, pw_value wait, const answer *a)
{
    const pw_member members[] = {
        { PW_LIT("task"), pw_get_lit(wait, "task") }, { PW_LIT("kind"), pw_get_lit(wait, "kind") },
        { PW_LIT("why"), text(a->why) },              { PW_LIT("moves"), text(a->moves) },
        { PW_LIT("at"), text(a->at) },                { PW_LIT("by"), text(a->by) },
        { PW_LIT("since"), text(a->since) },
    };
    return pw_object_of(w->arena, members, PW_LENGTH(members));
}

/* ------------------------------------------------------------------ the whole */

/* What holds all others back comes first. */
static int urgency(pw_str kind)
{
    static const char *const first[] = { "trouble", "incident", "continue", "start" };
    int at = 0;
    while (at < (int)PW_LENGTH(first) && !pw_str_is(kind, first[at]))
        at++;
    return at;
}

/* The store as a whole holds it back. */
static bool is_held(const why *w, answer *a)
{
    pawl_error err = { .code = PAWL_OK };
    if (w->p->mode != PAWL_OWN)
        return false;
    a->at = (pw_str){ "", 0 }; /* nobody knows */
    if (pw_disk_is_full(w->p)) {
        a->why = PW_LIT("the disk of the store is full, so everything pauses");
        a->moves = PW_LIT("it goes on by itself when there is space; pawl cleanup deletes what is old");
        a->by = PW_LIT("an operator");
        return true;
    }
    if (!pw_engine_degraded(w->p, &err))
        return false;
    a->why = pw_arena_printf(w->arena, "the store takes nothing, so nothing moves: %s", err.message);
    a->moves = PW_LIT("it goes on by itself when that is set right");
    a->by = PW_LIT("an operator");
    return true;
}

static answer of_whole(const why *w, const answer *main, pw_str status, size_t others)
{
    answer a = { .since = get(w->instance, "updatedAt") };
    const bool ended = get(w->instance, "endedAt").len > 0;
    if (main && (!ended || pw_str_is(status, "faulted"))) {
        a = *main;
        if (others > 0)
            a.why = pw_arena_printf(w->arena, PW_FMT "; beside it %zu other%s", PW_ARG(a.why), others, others > 1 ? "s" : "");
    } else if (ended) {
        a.since = get(w->instance, "endedAt");
        a.why = pw_arena_printf(w->arena, "it has ended: it is " PW_FMT, PW_ARG(status));
        a.moves = PW_LIT("nothing: it is over");
    } else {
        a.why = PW_LIT("it is at work");
        a.moves = PW_LIT("its owner, at once");
        a.by = PW_LIT("the engine");
    }
    answer held = a;
    return !ended && is_held(w, &held) ? held : a;
}

static pw_value describe(const why *w)
{
    const pw_value waits = pw_get_lit(w->instance, "waits");
    pw_array_builder list = { .arena = w->arena };
    answer main = { .since = { "", 0 } };
    int best = -1;
    for (uint32_t i = 0; pw_is(waits, PW_ARRAY) && i < waits.count; i++) {
        const pw_value wait = pw_item(waits, i);
        const answer a = answer_of(w, wait);
        const int now = urgency(get(wait, "kind"));
        pw_array_add(&list, described(w, wait, &a));
        if (best < 0 || now < best) {
            best = now;
            main = a;
        }
    }
    const size_t others = pw_is(waits, PW_ARRAY) && waits.count > 1 ? waits.count - 1 : 0;
    const answer a = of_whole(w, best >= 0 ? &main : NULL, get(w->instance, "status"), others);
    const pw_member members[] = {
        { PW_LIT("id"), pw_get_lit(w->instance, "id") },
        { PW_LIT("namespace"), pw_get_lit(w->instance, "namespace") },
        { PW_LIT("name"), pw_get_lit(w->instance, "name") },
        { PW_LIT("version"), pw_get_lit(w->instance, "version") },
        { PW_LIT("status"), pw_get_lit(w->instance, "status") },
        { PW_LIT("why"), text(a.why) },
        { PW_LIT("moves"), text(a.moves) },
        { PW_LIT("at"), text(a.at) },
        { PW_LIT("by"), text(a.by) },
        { PW_LIT("since"), text(a.since) },
        { PW_LIT("waits"), pw_array_end(&list) },
        { PW_LIT("findings"), pw_auditor_of(w->p->auditor, w->id, w->arena) },
    };
    return pw_object_of(w->arena, members, PW_LENGTH(members));
}

pawl_code pawl_why(pawl *p, const char *id, char **out, pawl_error *err)
{
    char *shown = NULL;
    pawl_code code = out ? pawl_show(p, id, &shown, err) : pw_fail(err, PAWL_INVALID, "why: out is NULL");
    if (code != PAWL_OK)
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    why w = { .p = p, .id = pw_str_of(id), .arena = &arena };
    code = pw_json_parse(&w.instance, pw_str_of(shown), NULL, &arena, err);
    if (code == PAWL_OK)
        code = pw_give_json(out, describe(&w), &arena, err);
    pawl_free(shown);
    pw_arena_done(&arena);
    return code;
}
