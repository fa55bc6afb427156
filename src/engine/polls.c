/* polls.c - what workers ask for, and what there is for them: the polls of the API on the board.
 *
 *     open --> WAITING --on_poll--> TELLING: on_jobs runs --> TOLD --close--> freed
 *                 '-- close: withdrawn from the board -----------------------^
 *
 * on_jobs is called once, on the thread that had the last job for it: a shard's, or the board's
 * when its time is over. It may close its own poll, which is then freed when it has returned. */
#include <stdio.h>
#include "engine/engine.h"
#include "base/json.h"

enum {
    MAX_DEFAULT = 1,
    WAIT_MAX_MS = 300000,
    LEASE_MIN_MS = 100,
    LEASE_MAX_MS = 3600000,
    NAME_MAX_BYTES = 256, /* of a worker's name */
    LIST_DEFAULT = 100,
};

struct pawl_poll {
    pw_poll poll; /* first */
    pawl *p;
    pawl_jobs_fn on_jobs;
    void *context;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    enum { POLL_WAITING, POLL_TELLING, POLL_TOLD } state;
    pthread_t teller; /* TELLING */
    bool closed;      /* by on_jobs itself */
};

/* ------------------------------------------------------------------ what is asked for */

typedef struct request {
    pw_arena arena;
    pw_poll_about about;
} request;

static pawl_code check_name(pw_str name, const char *what, size_t most, pawl_error *err)
{
    if (name.len == 0 || name.len > most || !pw_utf8_valid(name))
        return pw_fail(err, PAWL_INVALID, "%s must have 1 to %zu bytes of UTF-8", what, most);
    return PAWL_OK;
}

/* Each once: a poll waits once at each. */
static pawl_code add_name(pw_str *names, size_t *count, pw_str name, const char *what,
                          pawl_error *err)
{
    pawl_code code = check_name(name, what, PW_FUNCTION_NAME_MAX, err);
    if (code != PAWL_OK)
        return code;
    for (size_t i = 0; i < *count; i++)
        if (pw_str_eq(names[i], name))
            return PAWL_OK;
    names[(*count)++] = name;
    return PAWL_OK;
}

/* A JSON array of namespaces; text NULL: *out NULL, any. */
static pawl_code read_namespaces(const pw_str **out, size_t *count, const char *text, uint32_t most,
                                 const char *what, pw_arena *arena, pawl_error *err)
{
    *out = NULL;
    *count = 0;
    if (!text)
        return PAWL_OK;
    pw_value list;
    pawl_code code = pw_json_parse(&list, pw_str_of(text), NULL, arena, err);
    if (code != PAWL_OK)
        return pw_error_context(err, code, "%s: namespaces", what);
    if (!pw_is(list, PW_ARRAY) || list.count > most)
        return pw_fail(err, PAWL_INVALID, "%s: namespaces must be an array of at most %u strings",
                       what, most);
    pw_str *names = PW_NEW_ARRAY(arena, pw_str, list.count + 1);
    if (!names)
        return pw_no_memory(err);
    for (uint32_t i = 0; i < list.count && code == PAWL_OK; i++) {
        pw_value item = pw_item(list, i);
        if (!pw_is(item, PW_STRING))
            return pw_fail(err, PAWL_INVALID, "%s: namespaces must be an array of strings", what);
        code = add_name(names, count, pw_text(item), "a namespace", err);
    }
    *out = names;
    return code;
}

static pawl_code read_functions(pw_poll_about *about, const pawl_poll_options *options,
                                pw_arena *arena, pawl_error *err)
{
    if (!options->functions || options->function_count == 0 ||
        options->function_count > PW_POLL_FUNCTIONS_MAX)
        return pw_fail(err, PAWL_INVALID, "poll: it needs 1 to %u functions, not %zu",
                       PW_POLL_FUNCTIONS_MAX, options->functions ? options->function_count : 0);
    pw_str *names = PW_NEW_ARRAY(arena, pw_str, options->function_count);
    if (!names)
        return pw_no_memory(err);
    pawl_code code = PAWL_OK;
    for (size_t i = 0; i < options->function_count && code == PAWL_OK; i++)
        code = add_name(names, &about->function_count, pw_str_of(options->functions[i]),
                        "a function", err);
    about->functions = names;
    return code;
}

static pawl_code read_request(request *out, const pawl *p, const pawl_poll_options *given,
                              pawl_error *err)
{
    if (!given || given->struct_size == 0)
        return pw_fail(err, PAWL_INVALID,
                       "poll: struct_size is 0; set it to sizeof(pawl_poll_options)");
    pawl_poll_options options = { 0 };
    memcpy(&options, given,
           given->struct_size < sizeof options ? given->struct_size : sizeof options);
    pw_poll_about *about = &out->about;
    *about =
        (pw_poll_about){ .max = options.max ? options.max : MAX_DEFAULT,
                         .wait_ms = options.wait_ms,
                         .lease_ms =
                             options.lease_ms ? options.lease_ms : pw_jobs_lease_ms(p->jobs),
                         .worker = options.worker ? pw_str_of(options.worker) : PW_LIT("worker") };
    if (about->max > PW_POLL_JOBS_MAX)
        return pw_fail(err, PAWL_INVALID, "poll: max must be at most %u, not %u", PW_POLL_JOBS_MAX,
                       about->max);
    if (about->wait_ms > WAIT_MAX_MS)
        return pw_fail(err, PAWL_INVALID, "poll: it may wait for at most %d ms, not %llu",
                       WAIT_MAX_MS, (unsigned long long)about->wait_ms);
    if (about->lease_ms < LEASE_MIN_MS || about->lease_ms > LEASE_MAX_MS)
        return pw_fail(err, PAWL_INVALID, "poll: a lease must be %d to %d ms, not %llu",
                       LEASE_MIN_MS, LEASE_MAX_MS, (unsigned long long)about->lease_ms);
    pawl_code code = check_name(about->worker, "poll: the worker's name", NAME_MAX_BYTES, err);
    if (code == PAWL_OK)
        code = read_functions(about, &options, &out->arena, err);
    if (code == PAWL_OK)
        code = read_namespaces(&about->namespaces, &about->namespace_count, options.namespaces,
                               PW_POLL_NAMESPACES_MAX, "poll", &out->arena, err);
    return code;
}

/* ------------------------------------------------------------------ what it gets */

static void write_instant(pw_buf *buf, const char *name, const pawl *p, uint64_t at_ns)
{
    uint64_t now = pw_monotonic_ns();
    int64_t left_ms = at_ns > now ? (int64_t)((at_ns - now) / 1000000) : 0;
    char at[PW_MOMENT_SIZE];
    pw_moment_write(at, pw_engine_now(p) + left_ms);
    pw_buf_printf(buf, ",\"%s\":\"%s\"", name, at);
}

/* NULL: out of memory. */
static char *write_jobs(const pawl *p, const pw_poll *poll)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, "{\"jobs\":[");
    for (const pw_given *given = poll->given; given; given = given->next) {
        if (given != poll->given)
            pw_buf_char(&buf, ',');
        pw_buf_add(&buf, given->job, given->length - 1); /* it ends with '}' */
        write_instant(&buf, "leaseUntil", p, given->lease_ns);
        write_instant(&buf, "deadline", p, given->deadline_ns);
        pw_buf_char(&buf, '}');
    }
    pw_buf_text(&buf, "]}");
    char *text = pw_buf_take(&buf);
    pw_buf_done(&buf);
    return text;
}

static void free_poll(pawl_poll *poll)
{
    pw_poll_done(pw_jobs_board(poll->p->jobs), &poll->poll);
    pw_condition_done(&poll->changed);
    (void)pthread_mutex_destroy(&poll->lock);
    pw_free(poll);
}

void pw_poll_told(void *jobs, pw_poll *which)
{
    (void)jobs;
    pawl_poll *poll = which->owner;
    pawl_error err = { .code = PAWL_OK };
    (void)pthread_mutex_lock(&poll->lock);
    poll->state = POLL_TELLING;
    poll->teller = pthread_self();
    (void)pthread_mutex_unlock(&poll->lock);
    char *text = NULL;
    if (which->stopped && !which->given)
        (void)pw_fail(&err, PAWL_BUSY, "closing");
    else if (!(text = write_jobs(poll->p, which)))
        (void)pw_no_memory(&err);
    bool got = text != NULL;
    PW_FAULT("job-before-told");
    if (!poll->on_jobs(poll->context, text, got ? NULL : &err) || !got)
        pw_poll_return(pw_jobs_board(poll->p->jobs), which);
    (void)pthread_mutex_lock(&poll->lock);
    poll->state = POLL_TOLD;
    bool closed = poll->closed;
    pw_condition_wake(&poll->changed);
    (void)pthread_mutex_unlock(&poll->lock);
    if (closed)
        free_poll(poll);
}

static pawl_code make_poll(pawl_poll **out, pawl *p, pawl_jobs_fn on_jobs, void *context,
                           pawl_error *err)
{
    pawl_poll *poll = pw_zalloc(sizeof *poll);
    if (!poll)
        return pw_no_memory(err);
    poll->p = p;
    poll->on_jobs = on_jobs;
    poll->context = context;
    poll->poll.owner = poll;
    int failed = pthread_mutex_init(&poll->lock, NULL);
    pawl_code code =
        failed ? pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory") : PAWL_OK;
    if (code == PAWL_OK && (code = pw_condition_init(&poll->changed, err)) != PAWL_OK)
        (void)pthread_mutex_destroy(&poll->lock);
    if (code != PAWL_OK) {
        pw_free(poll);
        return code;
    }
    *out = poll;
    return PAWL_OK;
}

pawl_code pawl_poll_open(pawl_poll **out, pawl *p, const pawl_poll_options *options,
                         pawl_jobs_fn on_jobs, void *context, pawl_error *err)
{
    if (!out || !on_jobs)
        return pw_fail(err, PAWL_INVALID, "poll: out or on_jobs is NULL");
    pawl_code code = pw_engine_may_write(p, err);
    if (code != PAWL_OK)
        return code;
    request r;
    pawl_poll *poll = NULL;
    pw_arena_init(&r.arena, 0);
    code = read_request(&r, p, options, err);
    if (code == PAWL_OK)
        code = make_poll(&poll, p, on_jobs, context, err);
    if (code == PAWL_OK) {
        *out = poll; /* it may be told at once */
        code = pw_poll_open(&poll->poll, pw_jobs_board(p->jobs), &r.about, err);
        if (code != PAWL_OK) {
            *out = NULL;
            pw_condition_done(&poll->changed);
            (void)pthread_mutex_destroy(&poll->lock);
            pw_free(poll);
        }
    }
    pw_arena_done(&r.arena);
    return code;
}

void pawl_poll_close(pawl_poll *poll)
{
    if (!poll)
        return;
    if (!pw_poll_withdraw(pw_jobs_board(poll->p->jobs), &poll->poll)) {
        (void)pthread_mutex_lock(&poll->lock);
        bool inside = poll->state == POLL_TELLING && pthread_equal(poll->teller, pthread_self());
        poll->closed = inside;
        while (!inside && poll->state != POLL_TOLD)
            (void)pw_condition_wait(&poll->changed, &poll->lock, UINT64_MAX);
        (void)pthread_mutex_unlock(&poll->lock);
        if (inside)
            return; /* who tells it frees it */
    }
    free_poll(poll);
}

/* ------------------------------------------------------------------ with a thread that waits */

typedef struct waiter {
    pw_reply reply;
    char *jobs;
    pawl_error err;
} waiter;

static int on_jobs(void *context, char *jobs, const pawl_error *err)
{
    waiter *w = context;
    w->jobs = jobs;
    if (err)
        w->err = *err;
    pw_reply_give(&w->reply);
    return 1;
}

pawl_code pawl_jobs_poll(pawl *p, const pawl_poll_options *options, char **out, pawl_error *err)
{
    if (!out)
        return pw_fail(err, PAWL_INVALID, "poll: out is NULL");
    waiter w = { .jobs = NULL };
    pawl_poll *poll = NULL;
    pawl_code code = pw_reply_init(&w.reply, err);
    if (code != PAWL_OK)
        return code;
    code = pawl_poll_open(&poll, p, options, on_jobs, &w, err);
    if (code == PAWL_OK) {
        (void)pw_reply_wait(&w.reply, UINT64_MAX); /* its time ends it */
        pawl_poll_close(poll);
        code = w.err.code;
        if (code == PAWL_OK)
            *out = w.jobs;
        else if (err)
            *err = w.err;
    }
    pw_reply_done(&w.reply);
    return code;
}

/* ------------------------------------------------------------------ looking */

static pawl_code read_cursor(pw_ticket_filter *filter, const char *after, pawl_error *err)
{
    unsigned table = 0;
    unsigned long long cursor = 0;
    int length = 0;
    if (!after)
        return PAWL_OK;
    if (sscanf(after, "%2u.%16llx%n", &table, &cursor, &length) != 2 || after[length] != '\0' ||
        table >= PW_BOARD_TABLES)
        return pw_fail(err, PAWL_INVALID, "jobs: '%.40s' is no \"next\" of a page", after);
    filter->table = table;
    filter->cursor = cursor;
    return PAWL_OK;
}

static pw_value text_or_none(pw_str text)
{
    return text.len ? pw_string_ref(text) : (pw_value){ 0 };
}

pw_value pw_jobs_described(const pawl *p, const pw_ticket_row *row, pw_arena *arena)
{
    pw_value progress = { 0 };
    if (row->progress.len && pw_json_parse(&progress, row->progress, NULL, arena, NULL) != PAWL_OK)
        progress = (pw_value){ 0 };
    const int64_t until = pw_engine_now(p) + (int64_t)row->left_ms;
    const pw_member members[] = {
        { PW_LIT("function"), pw_string_ref(row->function) },
        { PW_LIT("instance"), pw_string_ref(row->instance) },
        { PW_LIT("namespace"), pw_string_ref(row->namespace_) },
        { PW_LIT("task"), pw_string_ref(row->task) },
        { PW_LIT("visit"), pw_int((int64_t)row->visit) },
        { PW_LIT("attempt"), pw_int(row->attempt) },
        { PW_LIT("priority"), pw_int(row->priority) },
        { PW_LIT("state"), pw_string_ref(pw_str_of(row->state)) },
        { PW_LIT("worker"), text_or_none(row->worker) },
        { PW_LIT("leaseUntil"),
          row->leased ? pw_string_ref(pw_moment_text(arena, until)) : (pw_value){ 0 } },
        { PW_LIT("since"), pw_string_ref(pw_moment_text(arena, row->since_ms)) },
        { PW_LIT("progress"), progress },
    };
    return pw_object_of(arena, members, PW_LENGTH(members));
}

static pw_value describe_function(const pw_function_row *row, pw_arena *arena)
{
    const pw_member members[] = {
        { PW_LIT("function"), pw_string_ref(row->name) },
        { PW_LIT("ready"), pw_int((int64_t)row->ready) },
        { PW_LIT("leased"), pw_int((int64_t)row->leased) },
        { PW_LIT("unsure"), pw_int((int64_t)row->unsure) },
        { PW_LIT("parked"), pw_int((int64_t)row->parked) },
        { PW_LIT("polls"), pw_int((int64_t)row->polls) },
        { PW_LIT("maxConcurrent"), row->at_once ? pw_int(row->at_once) : (pw_value){ 0 } },
        { PW_LIT("rate"), row->per_second > 0 ? pw_real(row->per_second) : (pw_value){ 0 } },
    };
    return pw_object_of(arena, members, PW_LENGTH(members));
}

static pawl_code list_jobs(pawl *p, const pawl_jobs_options *options, char **out, pw_arena *arena,
                           pawl_error *err)
{
    pw_ticket_filter filter = { .function = pw_str_of(options->function),
                                .instance = pw_str_of(options->instance),
                                .limit = options->limit ? options->limit : LIST_DEFAULT };
    pw_function_row *functions = NULL;
    pw_ticket_row *tickets = NULL;
    size_t function_count = 0, ticket_count = 0;
    bool more = false;
    pw_board *board = pw_jobs_board(p->jobs);
    if (filter.limit > PW_PAGE_MAX)
        return pw_fail(err, PAWL_INVALID, "jobs: limit must be at most %u, not %u", PW_PAGE_MAX,
                       filter.limit);
    pawl_code code = read_namespaces(&filter.namespaces, &filter.namespace_count,
                                     options->namespaces, UINT32_MAX, "jobs", arena, err);
    if (code == PAWL_OK)
        code = read_cursor(&filter, options->after, err);
    if (code == PAWL_OK && filter.instance.len == PW_ID_LENGTH)
        filter.instance_table = pw_store_partition(filter.instance);
    if (code == PAWL_OK)
        code = pw_board_functions(board, filter.function, &functions, &function_count, arena, err);
    if (code == PAWL_OK)
        code = pw_board_tickets(board, &filter, &tickets, &ticket_count, &more, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_array_builder list = { .arena = arena }, jobs = { .arena = arena };
    for (size_t i = 0; i < function_count; i++)
        pw_array_add(&list, describe_function(&functions[i], arena));
    for (size_t i = 0; i < ticket_count; i++)
        pw_array_add(&jobs, pw_jobs_described(p, &tickets[i], arena));
    pw_str next = { 0 };
    if (more)
        next = pw_arena_printf(arena, "%u.%llx", tickets[ticket_count - 1].table,
                               (unsigned long long)tickets[ticket_count - 1].cursor);
    const pw_member members[] = { { PW_LIT("functions"), pw_array_end(&list) },
                                  { PW_LIT("jobs"), pw_array_end(&jobs) },
                                  { PW_LIT("next"), text_or_none(next) } };
    return pw_give_json(out, pw_object_of(arena, members, PW_LENGTH(members)), arena, err);
}

pawl_code pawl_jobs(pawl *p, const pawl_jobs_options *given, char **out, pawl_error *err)
{
    pawl_jobs_options options = { 0 };
    if (!out)
        return pw_fail(err, PAWL_INVALID, "jobs: out is NULL");
    if (given && given->struct_size == 0)
        return pw_fail(err, PAWL_INVALID,
                       "jobs: struct_size is 0; set it to sizeof(pawl_jobs_options)");
    if (given)
        memcpy(&options, given,
               given->struct_size < sizeof options ? given->struct_size : sizeof options);
    pawl_code code = pw_engine_may_write(p, err);
    if (code != PAWL_OK)
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    code = list_jobs(p, &options, out, &arena, err);
    pw_arena_done(&arena);
    return code;
}

pawl_code pawl_job_limit(pawl *p, const char *function, uint32_t at_once, double per_second,
                         pawl_error *err)
{
    pawl_code code = pw_engine_may_write(p, err);
    if (code == PAWL_OK && function)
        code =
            check_name(pw_str_of(function), "job limit: the function", PW_FUNCTION_NAME_MAX, err);
    if (code == PAWL_OK && !(per_second >= 0 && per_second <= 1e6))
        code = pw_fail(err, PAWL_INVALID, "job limit: per second must be 0 to 1000000");
    if (code != PAWL_OK)
        return code;
    return pw_board_limit(pw_jobs_board(p->jobs), pw_str_of(function), at_once, per_second, err);
}
