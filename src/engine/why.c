/* why.c - why an instance is where it is: what pawl_show has, in sentences. For each thing that it waits for: why, what will move
 * it, when that is at the latest as far as anybody knows, and who can do it. */
#include "engine/audit.h"
#include "engine/engine.h"
#include "base/json.h"
#include "base/moment.h"

typedef struct why {
    pawl *p;
    pw_str id;
    pw_value instance; /* as pawl_show gives it */
    bool asleep;       /* no time moves it */
    bool deserted;     /* this process only reads, and no other drives the store */
    pw_arena *arena;
} why;

typedef struct answer {
    pw_str why, moves, at, by, since;
    bool driven; /* only who drives the store can move it */
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

static bool is_of_schedule(pw_value wait)
{
    return pw_is(pw_get_lit(wait, "schedule"), PW_OBJECT);
}

/* " (every PT1H)": as it is written. */
static pw_str written(const why *w, pw_value wait)
{
    static const char *const kinds[] = { "every", "cron", "after" }; /* of `on` its listen says more */
    const pw_value as = pw_get_lit(pw_get_lit(wait, "schedule"), "written");
    for (size_t i = 0; i < PW_LENGTH(kinds); i++) {
        const pw_value v = pw_get(as, pw_str_of(kinds[i]));
        if (pw_is(v, PW_NONE))
            continue;
        pw_str text = pw_is(v, PW_STRING) ? pw_text(v) : pw_json_text(w->arena, v, PW_JSON_COMPACT);
        return pw_arena_printf(w->arena, " (%s " PW_FMT ")", kinds[i], PW_ARG(text));
    }
    return (pw_str){ "", 0 };
}

/* "a, b" of an array of texts, each behind the same words. */
static pw_str listed(const why *w, pw_value names, const char *before)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (uint32_t i = 0; pw_is(names, PW_ARRAY) && i < names.count; i++) {
        pw_buf_text(&buf, buf.len ? ", " : "");
        pw_buf_text(&buf, before);
        pw_buf_str(&buf, or_else(pw_text(pw_item(names, i)), "any"));
    }
    pw_str text = pw_arena_str(w->arena, pw_buf_view(&buf));
    pw_buf_done(&buf);
    return text;
}

/* ------------------------------------------------------------------ one thing that it waits for */

/* " due at", " overdue since"; empty: it is due at no time. */
static pw_str due_of(const why *w, pw_value wait)
{
    pw_str due = get(wait, "dueAt");
    int64_t at = 0;
    if (!due.len || pw_moment_parse(&at, due, NULL) != PAWL_OK)
        return (pw_str){ "", 0 };
    return pw_arena_printf(w->arena, ", %s " PW_FMT, at > pw_engine_now(w->p) ? "due at" : "overdue since", PW_ARG(due));
}

/* A claim may be over. */
static pw_str claimer_of(const why *w, pw_value wait)
{
    int64_t until = 0;
    pw_str text = get(wait, "claimedUntil");
    const bool over = text.len && pw_moment_parse(&until, text, NULL) == PAWL_OK && until <= pw_engine_now(w->p);
    return over ? (pw_str){ "", 0 } : get(wait, "claimedBy");
}

static pw_str candidates_of(const why *w, pw_value candidates)
{
    pw_str users = listed(w, pw_get_lit(candidates, "users"), ""), groups = listed(w, pw_get_lit(candidates, "groups"), "group ");
    if (!users.len || !groups.len)
        return users.len ? users : or_else(groups, "anybody");
    return pw_arena_printf(w->arena, PW_FMT ", " PW_FMT, PW_ARG(users), PW_ARG(groups));
}

static void of_person(const why *w, pw_value wait, answer *a)
{
    pw_str key = get(wait, "key"), to = get(wait, "assignedTo"), claimed = claimer_of(w, wait);
    a->why = pw_arena_printf(w->arena, "a person is to answer '" PW_FMT "'%s" PW_FMT PW_FMT, PW_ARG(or_else(get(wait, "title"), "a task")),
                             claimed.len ? ", and it is claimed by " : "", PW_ARG(claimed), PW_ARG(due_of(w, wait)));
    a->by = claimed.len ? claimed : to.len ? to : candidates_of(w, pw_get_lit(wait, "candidates"));
    a->moves = pw_arena_printf(w->arena, "an answer: pawl complete " PW_FMT " " PW_FMT, PW_ARG(w->id), PW_ARG(key));
    if (claimed.len)
        a->moves = pw_arena_printf(w->arena, PW_FMT "; for others: pawl release " PW_FMT " " PW_FMT, PW_ARG(a->moves), PW_ARG(w->id), PW_ARG(key));
    else if (to.len)
        a->moves = pw_arena_printf(w->arena, PW_FMT "; by another: pawl delegate " PW_FMT " " PW_FMT " --to NAME", PW_ARG(a->moves), PW_ARG(w->id),
                                   PW_ARG(key));
}

/* What a schedule can be told. */
static pw_str beside_schedule(const why *w)
{
    return pw_arena_printf(w->arena, "one more now: pawl start " PW_FMT "/" PW_FMT "; none meanwhile: pawl suspend " PW_FMT,
                           PW_ARG(get(w->instance, "namespace")), PW_ARG(get(w->instance, "name")), PW_ARG(w->id));
}

static void of_next_start(const why *w, pw_value wait, answer *a)
{
    int64_t fired = 0;
    (void)pw_integer(pw_get_lit(pw_get_lit(wait, "schedule"), "fired"), &fired);
    a->at = get(pw_get_lit(wait, "schedule"), "next");
    if (!a->at.len) {
        a->why = pw_arena_printf(w->arena, "it is a schedule" PW_FMT ", and no time of it is left", PW_ARG(written(w, wait)));
        a->moves = pw_arena_printf(w->arena, "nothing; to end it: pawl cancel " PW_FMT, PW_ARG(w->id));
        a->by = PW_LIT("an operator");
        return;
    }
    a->why = pw_arena_printf(w->arena, "it is a schedule" PW_FMT ", and its start %lld is due at " PW_FMT, PW_ARG(written(w, wait)),
                             (long long)fired + 1, PW_ARG(a->at));
    a->moves = pw_arena_printf(w->arena, "its time; " PW_FMT, PW_ARG(beside_schedule(w)));
}

static void of_timer(const why *w, pw_value wait, answer *a)
{
    a->by = PW_LIT("the clock");
    a->driven = true;
    if (is_of_schedule(wait)) {
        of_next_start(w, wait, a);
        return;
    }
    a->at = get(wait, "dueAt");
    a->why = pw_arena_printf(w->arena, "it waits until " PW_FMT, PW_ARG(a->at));
    a->moves = pw_arena_printf(w->arena, "its time; earlier: pawl resume " PW_FMT " --key " PW_FMT, PW_ARG(w->id), PW_ARG(get(wait, "key")));
}

/* "an event of type a, order 1002" */
static pw_str heard_words(const why *w, pw_value listens)
{
    pw_str to = get(listens, "to"), types = or_else(listed(w, pw_get_lit(listens, "types"), ""), "any");
    const pw_value correlation = pw_get_lit(listens, "correlation");
    const char *how = pw_str_is(to, "all") ? "an event of each type: " : pw_str_is(to, "any") ? "any event of the types " : "an event of type ";
    if (pw_str_is(types, "any")) {
        how = "an event of any type";
        types = (pw_str){ "", 0 };
    }
    if (pw_is(correlation, PW_NONE))
        return pw_arena_printf(w->arena, "%s" PW_FMT, how, PW_ARG(types));
    return pw_arena_printf(w->arena, "%s" PW_FMT ", with " PW_FMT, how, PW_ARG(types),
                           PW_ARG(pw_json_text(w->arena, correlation, PW_JSON_COMPACT)));
}

static void of_message(const why *w, pw_value wait, answer *a)
{
    const pw_value listens = pw_get_lit(wait, "listens"), types = pw_get_lit(listens, "types");
    int64_t heard = 0;
    (void)pw_integer(pw_get_lit(listens, "heard"), &heard);
    pw_str what = heard_words(w, listens), type = pw_is(types, PW_ARRAY) && types.count == 1 ? pw_text(pw_item(types, 0)) : (pw_str){ "", 0 };
    pw_str came = heard ? pw_arena_printf(w->arena, "%lld of them %s come", (long long)heard, heard == 1 ? "has" : "have")
                        : PW_LIT("none that fits has come");
    a->why = pw_arena_printf(w->arena, "%s listens for " PW_FMT ", and " PW_FMT, is_of_schedule(wait) ? "it is a schedule, which" : "it",
                             PW_ARG(what), PW_ARG(came));
    a->moves = pw_arena_printf(w->arena, "an event that fits: pawl send " PW_FMT " --data JSON, or POST /v1/events", PW_ARG(or_else(type, "TYPE")));
    if (is_of_schedule(wait))
        a->moves = pw_arena_printf(w->arena, PW_FMT "; " PW_FMT, PW_ARG(a->moves), PW_ARG(beside_schedule(w)));
    a->by = PW_LIT("who sends it");
}

/* How the child is: only its head is read. */
static void of_child(const why *w, pw_value wait, answer *a)
{
    pw_str child = get(wait, "child"), workflow = get(wait, "workflow");
    pw_instance_row row = { 0 };
    const bool found = pw_store_instance_get(w->p->store, child, false, &row, w->arena, NULL) == PAWL_OK;
    pw_str of = workflow.len ? pw_arena_printf(w->arena, " of " PW_FMT, PW_ARG(workflow)) : workflow;
    pw_str what = is_of_schedule(wait) ? pw_arena_printf(w->arena, "it is a schedule" PW_FMT ", and waits for the end of what it has started: ", PW_ARG(written(w, wait)))
                                       : PW_LIT("it waits for its child ");
    a->why = pw_arena_printf(w->arena, PW_FMT PW_FMT PW_FMT ", which is %s", PW_ARG(what), PW_ARG(child), PW_ARG(of),
                             found ? pw_status_name(row.status) : "not there yet");
    a->moves = pw_arena_printf(w->arena, "the child's end: pawl why " PW_FMT, PW_ARG(child));
    a->by = child;
    a->driven = !found || row.ended_ms >= 0; /* else see the child */
}

/* An attempt has failed, and the next has its time. False: none waits. */
static bool is_delayed(const why *w, pw_value wait, answer *a)
{
    int64_t attempt = 0;
    pw_str due = get(wait, "dueAt"), key = get(wait, "key");
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
    a->driven = true;
    a->moves = key.len ? pw_arena_printf(w->arena, "its time; at once: pawl resume " PW_FMT " --key " PW_FMT, PW_ARG(w->id), PW_ARG(key))
                       : pw_arena_printf(w->arena, "its time; at once: pawl retry " PW_FMT, PW_ARG(w->id));
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
    a->driven = true;
    a->moves = PW_LIT("the answer, or the end of its time");
    if (pw_str_is(where, "held")) {
        of_held(w, pw_get_lit(wait, "breaker"), service, a);
    } else if (pw_str_is(where, "queued")) {
        a->why = pw_arena_printf(w->arena, "its call of " PW_FMT " is queued: as many as may be are under way", PW_ARG(service));
        a->moves = PW_LIT("a call before it that ends");
    } else {
        a->why = pw_arena_printf(w->arena, "its call of " PW_FMT " %s", PW_ARG(service),
                                 where.len                     ? "was sent, and is not answered yet"
                                 : w->p->mode == PAWL_OWN      ? "is committed, and is about to be made"
                                 : w->deserted                 ? "is committed, and may have been sent"
                                                               : "is committed; whether it was sent is known to the owner of the store");
    }
}

static void of_activity(const why *w, pw_value wait, answer *a)
{
    pw_str function = get(wait, "function"), job = get(wait, "job"), worker = get(wait, "worker"), reason = get(wait, "reason");
    if (is_delayed(w, wait, a))
        return;
    a->driven = true;
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
        a->why = pw_arena_printf(w->arena, "'" PW_FMT "' is %s", PW_ARG(function),
                                 w->p->mode == PAWL_OWN ? "being done"
                                 : w->deserted          ? "to be done"
                                                        : "being done, or waits for a worker: the owner of the store knows");
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
    a->since = get(incident, "createdAt");
}

static int64_t token_of(const why *w) /* the number of its last step */
{
    int64_t token = 0;
    (void)pw_integer(pw_get_lit(w->instance, "token"), &token);
    return token;
}

/* When it was suspended, if that is among its last steps; else nobody knows without reading its whole log. */
static pw_str suspended_since(const why *w)
{
    enum { LAST = 10 };
    pw_step_row *rows = NULL;
    size_t count = 0;
    const int64_t token = token_of(w);
    const uint64_t from = token > LAST ? (uint64_t)token - LAST + 1 : 1;
    if (pw_store_steps(w->p->store, w->id, from, LAST, &rows, &count, w->arena, NULL) != PAWL_OK)
        return (pw_str){ "", 0 };
    while (count > 0 && !pw_str_is(rows[count - 1].event, "suspend"))
        count--;
    return count > 0 ? pw_moment_text(w->arena, rows[count - 1].at_ms) : (pw_str){ "", 0 };
}

/* Of the whole, or of what has come meanwhile. */
static void of_sleep(const why *w, pw_value wait, answer *a)
{
    a->why = or_else(get(wait, "reason"), "what came of it is kept until the instance goes on");
    a->by = PW_LIT("a person");
    if (!a->since.len)
        a->since = suspended_since(w);
    a->moves = pw_is(pw_get_lit(w->instance, "incident"), PW_OBJECT)
                   ? PW_LIT("what ends the incident of the instance")
                   : pw_arena_printf(w->arena, "pawl continue " PW_FMT, PW_ARG(w->id));
}

/* It is not loaded, or not decided. */
static void of_trouble(const why *w, pw_value wait, answer *a)
{
    pw_str code = get(wait, "code");
    a->why = pw_arena_printf(w->arena, "it should move, and cannot: " PW_FMT, PW_ARG(get(wait, "reason")));
    a->by = PW_LIT("an operator");
    a->moves = PW_LIT("its owner tries again by itself once that is set right");
    if (pw_str_is(code, pawl_code_name(PAWL_CORRUPT)))
        a->moves = pw_arena_printf(w->arena, "a whole store: pawl check, pawl restore FILE; else another in its place: pawl fork " PW_FMT " --step %lld",
                                   PW_ARG(w->id), (long long)token_of(w));
    else if (pw_str_is(code, pawl_code_name(PAWL_NOT_FOUND)))
        a->moves = PW_LIT("its definition, published again: pawl deploy FILE; or a backup of the store: pawl restore FILE");
    else if (pw_str_is(code, pawl_code_name(PAWL_SCHEMA)))
        a->moves = PW_LIT("the release of pawl that has written it, or a later one");
}

static void of_other(const why *w, pw_str kind, pw_value wait, answer *a)
{
    if (pw_str_is(kind, "continue")) {
        of_sleep(w, wait, a);
    } else if (pw_str_is(kind, "trouble")) {
        of_trouble(w, wait, a);
    } else if (pw_str_is(kind, "start")) {
        a->at = get(wait, "startAt");
        a->why = pw_arena_printf(w->arena, "it is to begin at " PW_FMT, PW_ARG(a->at));
        a->moves = pw_arena_printf(w->arena, "its time; to end it before: pawl cancel " PW_FMT, PW_ARG(w->id));
        a->by = PW_LIT("the clock");
        a->since = get(w->instance, "createdAt");
        a->driven = true;
    } else {
        a->why = PW_LIT("it is ready to go on");
        a->moves = PW_LIT("its owner, at once");
        a->by = PW_LIT("the engine");
        a->driven = true;
    }
}

/* Its time, or that of what it is in, may be over before anything else moves it. */
static void add_timeout(const why *w, pw_value wait, answer *a)
{
    pw_str at = get(wait, "timeoutAt"), of = get(wait, "timeoutOf");
    if (!at.len || w->asleep || w->deserted || (a->at.len && pw_str_cmp(a->at, at) <= 0))
        return;
    a->at = at;
    if (pw_str_is(of, "/"))
        of = PW_LIT("; else the workflow times out");
    else if (of.len)
        of = pw_arena_printf(w->arena, "; else " PW_FMT " times out", PW_ARG(of));
    else
        of = PW_LIT("; else it times out");
    a->moves = pw_arena_printf(w->arena, PW_FMT PW_FMT, PW_ARG(a->moves), PW_ARG(of));
}

/* Nobody is there who could: somebody has to be, first. */
static void add_desertion(const why *w, answer *a)
{
    if (!w->deserted || !a->driven)
        return;
    a->why = pw_arena_printf(w->arena, PW_FMT "; and nobody drives the store", PW_ARG(a->why));
    a->moves = pw_arena_printf(w->arena, "pawl serve --db " PW_FMT ", and then " PW_FMT, PW_ARG(pw_store_path(w->p->store)), PW_ARG(a->moves));
    a->by = PW_LIT("an operator");
    a->at = (pw_str){ "", 0 }; /* no time comes meanwhile */
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
    add_timeout(w, wait, &a);
    add_desertion(w, &a);
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
    w.deserted = p->mode != PAWL_OWN && !pw_store_is_owned(p->store);
    code = pw_json_parse(&w.instance, pw_str_of(shown), NULL, &arena, err);
    w.asleep = pw_str_is(get(w.instance, "status"), "suspended") || pw_str_is(get(w.instance, "status"), "faulted");
    if (code == PAWL_OK)
        code = pw_give_json(out, describe(&w), &arena, err);
    pawl_free(shown);
    pw_arena_done(&arena);
    return code;
}
