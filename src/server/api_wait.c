/* api_wait.c - answers that come later. A call that has to wait leaves what it needs in the arena
 * of its exchange, opens a watch or a poll, and parks: no thread waits. Whatever wakes it, it
 * closes the watch, looks again, and answers or parks again. It looks before it watches, and what
 * it watches for is relative to what it saw, so nothing is missed between the two. When the time is
 * over, or the server stops, it answers with what is there. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "server/api_internal.h"

enum {
    LOOK_AGAIN_MS = 250,  /* where children count, whose steps are not the instance's */
    POLL_GRACE_MS = 2000, /* a poll ends itself; this is for when it does not */
    LEASE_MAX_MS = 3600000,
    FUNCTIONS_MAX = 100,
    JOBS_MAX = 100,
};

typedef enum look { LOOK_DONE, LOOK_NOT_YET, LOOK_FAILED } look;

typedef struct waiting waiting;
struct waiting {
    look (*look)(pw_call *call, waiting *w); /* answers if it is there, or if `last` */
    pw_exchange *exchange;
    const char *id;
    pawl_watch_for what;
    uint64_t token;    /* that the last look saw; of PAWL_WATCH_MOVED */
    uint64_t until_ms; /* monotonic */
    uint64_t again_ms; /* look again after this, whatever happens; 0: never */
    bool last;         /* the next look answers */
    pawl_watch *watch;
    pawl_code watched; /* what the watch said, once it is closed */
    bool as_command;
    /* start */
    pw_str started;
    bool existed, waited;
    /* show */
    uint64_t known; /* token of If-None-Match; 0: none */
    bool any_known;
    /* log */
    uint64_t from;
    uint32_t limit;
    /* the command "wait" */
    pw_str request;
    bool moved, given;
    /* poll */
    pawl_poll *poll;
    char *jobs;
    pawl_error *refused;
    bool polled;
};

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- parking */

static void there(void *context, pawl_code code, const pawl_error *err)
{
    waiting *w = context;
    (void)err; /* the next look tells it, or the time is over */
    w->watched = code;
    pw_exchange_wake(w->exchange);
}

static waiting *new_waiting(pw_call *call, pw_str id, look (*looks)(pw_call *call, waiting *w))
{
    pw_arena *arena = pw_exchange_arena(call->exchange);
    waiting *w = PW_NEW(arena, waiting);
    if (!w)
        return NULL;
    *w = (waiting){ .look = looks,
                    .exchange = call->exchange,
                    .id = pw_arena_str(arena, id).ptr,
                    .until_ms = now_ms() + call->wait_ms,
                    .last = call->wait_ms == 0,
                    .as_command = call->as_command };
    return w->id ? w : NULL;
}

static bool look_or_park(pw_call *call, waiting *w);

static bool park(pw_call *call, waiting *w)
{
    pawl_error err = { .code = PAWL_OK };
    uint64_t now = now_ms(), left = w->until_ms > now ? w->until_ms - now : 0;
    w->watched = PAWL_OK;
    *pw_exchange_own(w->exchange) = w;
    if (pawl_watch_open(&w->watch, call->api->p, w->id, w->what, w->token, there, w, &err) !=
        PAWL_OK) {
        if (w->last)
            return pw_problem_of(&call->problem, &err);
        w->last = true; /* it cannot be waited for here: the answer is where it is */
        return look_or_park(call, w);
    }
    pw_call_put_request_id(call);
    pw_exchange_park(w->exchange, w->again_ms && w->again_ms < left ? w->again_ms : left);
    return true;
}

/* Looks, and parks if it is not there yet. */
static bool look_or_park(pw_call *call, waiting *w)
{
    if (!w)
        return pw_call_no_memory(call);
    if (call->api->stopping)
        w->last = true;
    switch (w->look(call, w)) {
    case LOOK_DONE:
        return true;
    case LOOK_FAILED:
        return false;
    case LOOK_NOT_YET:
        break;
    }
    return park(call, w);
}

/* ---- where an instance is */

typedef struct place {
    uint64_t token;
    bool ended;
    pw_str head; /* as pawl_head gives it, in the call's arena */
} place;

static bool find_place(pw_call *call, waiting *w, place *out)
{
    static const char *const ends[] = { "completed", "faulted", "cancelled", "compensated" };
    pawl_error err;
    char *head = NULL;
    if (pawl_head(call->api->p, w->id, &head, &err) != PAWL_OK)
        return pw_problem_of(&call->problem, &err);
    pw_str status = pw_skim_text(pw_str_of(head), "status");
    *out = (place){ .head = pw_arena_str(call->arena, pw_str_of(head)) };
    (void)pw_skim_number(pw_str_of(head), "token", &out->token);
    for (size_t i = 0; i < PW_LENGTH(ends); i++)
        out->ended = out->ended || pw_str_is(status, ends[i]);
    pawl_free(head);
    return out->head.ptr ? true : pw_call_no_memory(call);
}

static void put_token(pw_call *call, uint64_t token)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)token);
    pw_call_put_token(call, pw_str_of(text));
}

/* ---- start */

/* Members of one object behind those of another; what both have is the first one's. */
static void add_others(pw_buf *buf, pw_str object, pw_str first, pw_value parsed)
{
    const pw_member *members = pw_members(parsed);
    for (uint32_t i = 0; i < parsed.count; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, PW_FMT, PW_ARG(members[i].key));
        if (pw_skim(first, name).ptr)
            continue;
        pw_buf_printf(buf, ",\"%s\":", name);
        pw_buf_str(buf, pw_skim(object, name));
    }
}

/* What start answered, and what the instance is by now: with its output or error, if it was waited
 * for and has ended. */
static bool answer_started(pw_call *call, waiting *w, const place *at)
{
    static const char *const members[] = { "output", "error" };
    pawl_error err;
    char *shown = NULL;
    pw_value head = { 0 };
    pw_buf buf;
    if (pw_json_parse(&head, at->head, NULL, call->arena, &err) != PAWL_OK)
        return pw_problem_of(&call->problem, &err);
    if (at->ended && w->waited && pawl_show(call->api->p, w->id, &shown, &err) != PAWL_OK)
        return pw_problem_of(&call->problem, &err);
    pw_buf_init(&buf, 0);
    pw_buf_add(&buf, w->started.ptr, w->started.len - 1); /* '}' */
    add_others(&buf, at->head, w->started, head);
    for (size_t i = 0; shown && i < PW_LENGTH(members); i++) {
        pw_str member = pw_skim(pw_str_of(shown), members[i]);
        if (!member.ptr)
            continue;
        pw_buf_printf(&buf, ",\"%s\":", members[i]);
        pw_buf_str(&buf, member);
    }
    pw_buf_char(&buf, '}');
    put_token(call, at->token);
    pawl_free(shown);
    return pw_call_answer_buf(call, w->waited && !at->ended ? 202 : w->existed ? 200 : 201, &buf);
}

static look look_started(pw_call *call, waiting *w)
{
    place at;
    w->what = PAWL_WATCH_END;
    if (!find_place(call, w, &at))
        return LOOK_FAILED;
    if (!at.ended && !w->last)
        return LOOK_NOT_YET;
    return answer_started(call, w, &at) ? LOOK_DONE : LOOK_FAILED;
}

bool pw_wait_start(pw_call *call, pw_str id, pw_str started, bool existed)
{
    waiting *w = new_waiting(call, id, look_started);
    if (w) {
        w->existed = existed;
        w->waited = call->waits;
        w->started = pw_arena_str(pw_exchange_arena(call->exchange), started);
        if (!w->started.ptr)
            return pw_call_no_memory(call);
    }
    return look_or_park(call, w);
}

/* ---- show */

/* The token of If-None-Match: of one ETag of ours; "*": any. */
static void read_none_match(pw_call *call, waiting *w)
{
    pw_str header = pw_exchange_header(call->exchange, "If-None-Match");
    if (!header.ptr)
        return;
    if (pw_str_starts(header, PW_LIT("W/")))
        header = (pw_str){ header.ptr + 2, header.len - 2 };
    w->any_known = pw_str_is(header, "*");
    if (header.len < 3 || header.len > 21 || header.ptr[0] != '"')
        return;
    uint64_t token = 0;
    size_t i = 1;
    for (; i < header.len && header.ptr[i] >= '0' && header.ptr[i] <= '9'; i++)
        token = 10 * token + (uint64_t)(header.ptr[i] - '0');
    w->known = i + 1 == header.len && header.ptr[i] == '"' ? token : 0;
}

static look look_shown(pw_call *call, waiting *w)
{
    place at;
    pawl_error err;
    char *shown = NULL;
    if (!find_place(call, w, &at))
        return LOOK_FAILED;
    bool same = w->any_known || w->known == at.token;
    w->what = w->known ? PAWL_WATCH_MOVED : PAWL_WATCH_END;
    w->token = at.token;
    if (!at.ended && !w->last && (same || !w->known))
        return LOOK_NOT_YET;
    if (same) {
        put_token(call, at.token);
        pw_call_answer(call, 304, NULL, (pw_str){ 0 });
        return LOOK_DONE;
    }
    if (pawl_show(call->api->p, w->id, &shown, &err) != PAWL_OK)
        return pw_problem_of(&call->problem, &err), LOOK_FAILED;
    pw_call_put_token(call, pw_skim(pw_str_of(shown), "token"));
    pw_call_answer_json(call, 200, pw_str_of(shown));
    pawl_free(shown);
    return LOOK_DONE;
}

bool pw_wait_show(pw_call *call, pw_str id)
{
    waiting *w = new_waiting(call, id, look_shown);
    if (w)
        read_none_match(call, w);
    return look_or_park(call, w);
}

/* ---- output */

static look look_output(pw_call *call, waiting *w)
{
    place at;
    pawl_error err;
    char *output = NULL;
    w->what = PAWL_WATCH_END;
    if (!find_place(call, w, &at))
        return LOOK_FAILED;
    if (!at.ended && !w->last)
        return LOOK_NOT_YET;
    if (pawl_output(call->api->p, w->id, &output, &err) != PAWL_OK) {
        (void)pw_problem_of(&call->problem, &err);
        call->problem.token = at.token;
        call->problem.has_token = call->problem.status == 409;
        return LOOK_FAILED;
    }
    put_token(call, at.token);
    pw_call_answer_json(call, 200, pw_str_of(output));
    pawl_free(output);
    return LOOK_DONE;
}

bool pw_wait_output(pw_call *call, pw_str id)
{
    return look_or_park(call, new_waiting(call, id, look_output));
}

/* ---- log */

static look look_log(pw_call *call, waiting *w)
{
    place at;
    pawl_error err;
    char *page = NULL;
    w->what = PAWL_WATCH_MOVED;
    if (!find_place(call, w, &at))
        return LOOK_FAILED;
    w->token = at.token;
    if (pawl_log(call->api->p, w->id, w->from, w->limit, &page, &err) != PAWL_OK)
        return pw_problem_of(&call->problem, &err), LOOK_FAILED;
    bool empty = pw_str_is(pw_skim(pw_str_of(page), "steps"), "[]");
    bool answers = !empty || at.ended || w->last;
    if (answers) {
        put_token(call, at.token);
        pw_call_answer_json(call, 200, pw_str_of(page));
    }
    pawl_free(page);
    return answers ? LOOK_DONE : LOOK_NOT_YET;
}

bool pw_wait_log(pw_call *call, pw_str id, pw_value request)
{
    int64_t from = 0, limit = 0;
    waiting *w = new_waiting(call, id, look_log);
    (void)pw_integer(pw_get_lit(request, "from"), &from);
    (void)pw_integer(pw_get_lit(request, "limit"), &limit);
    if (limit > 1000)
        return pw_problem_http(&call->problem, PW_PROBLEM_BAD_PARAMETER,
                               "'limit' must be 1 to 1000");
    if (w) {
        w->from = from > 0 ? (uint64_t)from : 1;
        w->limit = (uint32_t)limit;
    }
    return look_or_park(call, w);
}

/* ---- the command "wait": asked with no time to wait, again and again */

static look look_command(pw_call *call, waiting *w)
{
    pawl_error err = { .code = PAWL_OK };
    place at;
    if (!w->given) {
        if (!find_place(call, w, &at))
            return LOOK_FAILED;
        w->token = at.token;
    }
    pawl_free(call->answer);
    call->answer = NULL;
    if (pw_command_execute(call->api->p, w->request, NULL, NULL, &call->answer, &err) != PAWL_OK)
        return pw_problem_of(&call->problem, &err), LOOK_FAILED;
    pw_str answer = pw_str_of(call->answer);
    if (pw_skim(answer, "ok").ptr) {
        pw_call_answer_json(call, 200, answer);
        return LOOK_DONE;
    }
    pw_value error = { 0 };
    if (pw_json_parse(&error, pw_skim(answer, "error"), NULL, call->arena, &err) != PAWL_OK)
        return pw_problem_of(&call->problem, &err), LOOK_FAILED;
    if (pw_str_is(pw_get_text(error, "code"), pawl_code_name(PAWL_TIMEOUT)) && !w->last)
        return LOOK_NOT_YET;
    return pw_problem_told(&call->problem, error), LOOK_FAILED;
}

bool pw_wait_command(pw_call *call, pw_value request)
{
    int64_t wait = 0, token = 0;
    pw_str kind = pw_get_text(request, "for");
    uint64_t most = pawl_config_duration_ms(call->api->config, "Server:MaxWait");
    (void)pw_integer(pw_get_lit(request, "timeoutMs"), &wait);
    call->wait_ms = wait > 0 ? (uint64_t)wait : 0;
    call->wait_ms = call->wait_ms < most ? call->wait_ms : most;
    waiting *w = new_waiting(call, pw_get_text(request, "id"), look_command);
    if (!w)
        return pw_call_no_memory(call);
    request = pw_with(call->arena, request, PW_LIT("timeoutMs"), pw_int(0));
    w->request = pw_json_text(pw_exchange_arena(call->exchange), request, PW_JSON_COMPACT);
    if (!w->request.ptr || call->arena->failed)
        return pw_call_no_memory(call);
    w->given = pw_str_is(kind, "moved") && pw_integer(pw_get_lit(request, "token"), &token);
    w->token = token > 0 ? (uint64_t)token : 0;
    w->what = kind.len == 0 || pw_str_is(kind, "end") ? PAWL_WATCH_END : PAWL_WATCH_MOVED;
    w->again_ms = pw_str_is(kind, "settled") || pw_str_is(kind, "idle") ? LOOK_AGAIN_MS : 0;
    return look_or_park(call, w);
}

/* ---- jobs */

/* On a thread of the library. Who is gone already gets no jobs. */
static int on_jobs(void *context, char *jobs, const pawl_error *err)
{
    waiting *w = context;
    if (jobs && !pw_exchange_alive(w->exchange)) {
        pawl_free(jobs);
        pw_exchange_wake(w->exchange);
        return 0;
    }
    w->jobs = jobs;
    if (!jobs && err)
        *w->refused = *err;
    w->polled = true;
    pw_exchange_wake(w->exchange);
    return 1;
}

static look look_polled(pw_call *call, waiting *w)
{
    pw_buf buf;
    if (w->polled && !w->jobs)
        return pw_problem_of(&call->problem, w->refused), LOOK_FAILED;
    pw_buf_init(&buf, 0);
    if (w->as_command)
        pw_buf_text(&buf, "{\"ok\":");
    pw_buf_text(&buf, w->jobs ? w->jobs : "{\"jobs\":[]}");
    if (w->as_command)
        pw_buf_char(&buf, '}');
    pawl_free(w->jobs);
    w->jobs = NULL;
    return pw_call_answer_buf(call, 200, &buf) ? LOOK_DONE : LOOK_FAILED;
}

static bool bad_member(pw_call *call, const char *name, const char *wanted)
{
    return pw_problem_http(&call->problem, PW_PROBLEM_BAD_BODY, "'%s' must be %s", name, wanted);
}

static bool number_of(pw_call *call, pw_value request, const char *name, uint64_t most,
                      uint64_t *out)
{
    int64_t n = 0;
    pw_value v = pw_get_lit(request, name);
    *out = 0;
    if (pw_is(v, PW_NONE) || pw_is(v, PW_NULL))
        return true;
    if (!pw_integer(v, &n) || n < 0 || (uint64_t)n > most)
        return pw_problem_http(&call->problem, PW_PROBLEM_BAD_BODY,
                               "'%s' must be a whole number from 0 to %llu", name,
                               (unsigned long long)most);
    *out = (uint64_t)n;
    return true;
}

static bool functions_of(pw_call *call, pw_value request, pawl_poll_options *out)
{
    pw_value v = pw_get_lit(request, "functions");
    if (!pw_is(v, PW_ARRAY) || v.count == 0 || v.count > FUNCTIONS_MAX)
        return bad_member(call, "functions", "an array of 1 to 100 names of functions");
    const char **names = PW_NEW_ARRAY(call->arena, const char *, v.count);
    if (!names)
        return pw_call_no_memory(call);
    for (uint32_t i = 0; i < v.count; i++) {
        pw_str name = pw_text(pw_item(v, i));
        if (!name.len || memchr(name.ptr, '\0', name.len))
            return bad_member(call, "functions", "an array of 1 to 100 names of functions");
        names[i] = pw_arena_str(call->arena, name).ptr;
        if (!names[i])
            return pw_call_no_memory(call);
    }
    out->functions = names;
    out->function_count = v.count;
    return true;
}

static bool worker_of(pw_call *call, pw_value request, pawl_poll_options *out)
{
    pw_value v = pw_get_lit(request, "worker");
    pw_str name = pw_is(v, PW_NONE) || pw_is(v, PW_NULL) ? call->identity.name : pw_text(v);
    if (!name.len || name.len > 255 || memchr(name.ptr, '\0', name.len))
        return bad_member(call, "worker", "a name of 1 to 255 bytes");
    out->worker = pw_arena_str(call->arena, name).ptr;
    return out->worker ? true : pw_call_no_memory(call);
}

static bool poll_options(pw_call *call, pw_value request, pawl_poll_options *out)
{
    static const char *const known[] = { "functions", "max",    "waitMs",
                                         "leaseMs",   "worker", "namespaces" };
    const pw_member *members = pw_members(request);
    uint64_t max = 0, most = pawl_config_duration_ms(call->api->config, "Server:MaxWait");
    *out = (pawl_poll_options){ .struct_size = sizeof *out };
    for (uint32_t i = 0; i < request.count; i++) {
        bool knows =
            pw_command_request_member(members[i].key) || pw_str_is(members[i].key, "command");
        for (size_t k = 0; k < PW_LENGTH(known) && !knows; k++)
            knows = pw_str_is(members[i].key, known[k]);
        if (!knows)
            return pw_problem_http(&call->problem, PW_PROBLEM_BAD_BODY,
                                   "'poll' knows no member '" PW_FMT "'", PW_ARG(members[i].key));
    }
    if (!functions_of(call, request, out) || !worker_of(call, request, out) ||
        !number_of(call, request, "max", JOBS_MAX, &max) ||
        !number_of(call, request, "waitMs", INT64_MAX, &out->wait_ms) ||
        !number_of(call, request, "leaseMs", LEASE_MAX_MS, &out->lease_ms))
        return false;
    out->max = (uint32_t)max;
    out->wait_ms = out->wait_ms < most ? out->wait_ms : most;
    pw_value namespaces = pw_get_lit(request, "namespaces");
    if (!pw_is(namespaces, PW_NONE))
        out->namespaces = pw_json_text(call->arena, namespaces, PW_JSON_COMPACT).ptr;
    return call->arena->failed ? pw_call_no_memory(call) : true;
}

bool pw_wait_poll(pw_call *call, pw_value request)
{
    pawl_poll_options options;
    pawl_error err = { .code = PAWL_OK };
    if (!poll_options(call, request, &options))
        return false;
    if (call->api->stopping)
        options.wait_ms = 0;
    call->wait_ms = options.wait_ms;
    waiting *w = new_waiting(call, PW_LIT(""), look_polled);
    if (w)
        w->refused = PW_NEW(pw_exchange_arena(call->exchange), pawl_error);
    if (!w || !w->refused)
        return pw_call_no_memory(call);
    *pw_exchange_own(call->exchange) = w;
    if (pawl_poll_open(&w->poll, call->api->p, &options, on_jobs, w, &err) != PAWL_OK)
        return pw_problem_of(&call->problem, &err);
    pw_call_put_request_id(call);
    pw_exchange_park(call->exchange, options.wait_ms + POLL_GRACE_MS);
    return true;
}

/* ---- later turns */

void pw_wait_turn(pw_call *call, pw_turn turn)
{
    waiting *w = *pw_exchange_own(call->exchange);
    call->correlated = true; /* by the first turn */
    call->as_command = w->as_command;
    pawl_watch_close(w->watch);
    pawl_poll_close(w->poll);
    w->watch = NULL;
    w->poll = NULL;
    bool over = now_ms() >= w->until_ms || w->watched != PAWL_OK;
    if (turn == PW_TURN_GONE || turn == PW_TURN_STOPPING || over)
        w->last = true;
    if (turn == PW_TURN_GONE) {
        pawl_free(w->jobs);
        w->jobs = NULL;
        pw_exchange_answer(call->exchange, 503, NULL, (pw_str){ 0 }); /* nobody hears it */
    } else if (!look_or_park(call, w)) {
        pw_call_answer_problem(call);
    }
}
