/* bulk_work.c - bulk operations are carried out: see bulk.h.
 *
 *     page into the row --> an action on each, some side by side --> counts and the next page into
 * the row --> ...
 *
 * Every write of the row is a compare-and-set, and every action has the operation's id in its
 * idempotency key. So a page may be carried out again, by whoever has the row then: what was done
 * before answers as it did before, and is counted once, with the write that ends its page. That
 * holds for as long as answers are kept: a day.
 *
 * The row is changed by others only in its state: stopped, or let go on. Who loses the race to that
 * takes the state and writes again; who loses it to another node has lost the operation. A stop is
 * obeyed behind the page, since what is at work has no counts yet. */
#include "engine/bulk.h"
#include "engine/live.h"
#include "base/json.h"

#define NS_PER_MS 1000000u

enum {
    LEASE_MS = 30000, /* a page of a hundred takes less than a second, on a slow disk ten */
    PAGE = 100,       /* what a crash repeats, and a stop waits for */
    AGAIN_MS = 1000,  /* after the store has failed */
    TRIES = 16,       /* of one write: each is lost to a person's, which is rare */
    SIDE_BY_SIDE = 8, /* commits that share an fsync */
    HELPERS_MAX = 16,
};

struct pw_bulks {
    pw_bulks_options options;
    pthread_mutex_t lock; /* of what follows; never held while calling out */
    pthread_cond_t changed;
    bool stop, woken, busy;
    uint64_t next_ns; /* the rows are looked at again */
};

typedef struct result { /* of one incident of a page */
    const char *id;
    pawl_code code;
    pawl_error error;
} result;

/* One page of one operation. */
typedef struct page {
    pw_bulks *bulks;
    pw_bulk row; /* as it is in the store */
    pw_bulk_plan plan;
    const char *key, *actor;
    result *results;
    uint32_t count, next; /* next: the first that nobody has taken; under the lock */
    bool broken;          /* one of them is to be tried again, and so all; the same */
    uint64_t done, skipped;
    pw_bulk_failure *failures;
    size_t failed;
    pw_arena *arena;
} page;

static bool stopped(pw_bulks *b)
{
    (void)pthread_mutex_lock(&b->lock);
    bool stop = b->stop;
    (void)pthread_mutex_unlock(&b->lock);
    return stop;
}

/* ------------------------------------------------------------------ pages */

/* Behind row->cursor; both are empty where nothing is. */
static pawl_code load(page *at, pw_bulk *row, pawl_error *err)
{
    pw_bulks *b = at->bulks;
    pw_incident_filter filter = at->plan.filter;
    pw_incident_row *rows = NULL;
    size_t count = 0;
    pw_str next = { "", 0 };
    pw_array_builder list = { .arena = at->arena };
    filter.after = row->cursor;
    filter.limit = b->options.page;
    pawl_code code = at->plan.none ? PAWL_OK
                                   : pw_store_incidents(b->options.store, &filter, &rows, &count,
                                                        &next, at->arena, err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++)
        pw_array_add(&list, pw_string_ref(
                                pw_arena_printf(at->arena, PW_FMT "-%llu", PW_ARG(rows[i].instance),
                                                (unsigned long long)rows[i].row.sequence)));
    if (code != PAWL_OK)
        return code;
    row->cursor = next;
    row->page =
        count ? pw_json_text(at->arena, pw_array_end(&list), PW_JSON_COMPACT) : (pw_str){ "", 0 };
    return at->arena->failed ? pw_no_memory(err) : PAWL_OK;
}

/* It is ours as long as there is a page. */
static void lease(const pw_bulks *b, pw_bulk *row)
{
    row->changed_ms = b->options.now_ms(b->options.context);
    row->node = row->page.len ? b->options.node : (pw_str){ "", 0 };
    row->lease_ms = row->page.len ? row->changed_ms + (int64_t)b->options.lease_ms : -1;
}

static void end(pw_bulk *row)
{
    row->state = PW_BULK_DONE;
    row->cursor = (pw_str){ "", 0 };
}

/* Nobody else is at it. */
static bool is_free(const pw_bulks *b, const pw_bulk *row)
{
    return b->options.alone || !row->node.len || pw_str_eq(row->node, b->options.node) ||
           row->lease_ms <= b->options.now_ms(b->options.context);
}

/* Before anything is done the row says what, and by whom. *ours: it is so. */
static pawl_code claim(page *at, bool *ours, pawl_error *err)
{
    pw_bulk next = at->row;
    *ours = next.page.len > 0 && pw_str_eq(next.node, at->bulks->options.node);
    if (*ours)
        return PAWL_OK;
    pawl_code code = next.page.len ? PAWL_OK : load(at, &next, err);
    if (code != PAWL_OK)
        return code;
    if (!next.page.len)
        end(&next);
    lease(at->bulks, &next);
    PW_FAULT("bulk-before-claim");
    code = pw_store_bulk_set(at->bulks->options.store, &next, NULL, 0, ours, err);
    next.epoch++;
    at->row = next;
    *ours = *ours && next.page.len > 0;
    return code;
}

/* ------------------------------------------------------------------ what is done to each */

/* Says nothing of the instance: it is tried again, all of the page. */
static bool is_passing(pawl_code code, const pawl_error *err)
{
    return code == PAWL_BUSY || code == PAWL_IO || code == PAWL_TIMEOUT || code == PAWL_LOST ||
           code == PAWL_NO_MEMORY ||
           (code == PAWL_CONFLICT && err->reason == PAWL_REASON_STALE_TOKEN);
}

/* It was over before its turn came. */
static bool is_over(pawl_code code, const pawl_error *err)
{
    return code == PAWL_NOT_FOUND || (code == PAWL_STATE && err->reason == PAWL_REASON_NO_INCIDENT);
}

static void act(page *at, result *r)
{
    const pw_bulk_plan *plan = &at->plan;
    const pawl_act_options options = { .struct_size = sizeof options,
                                       .id = r->id,
                                       .action = plan->action,
                                       .reason = plan->reason,
                                       .input = plan->input,
                                       .output = plan->output,
                                       .task = plan->task,
                                       .confirmed = plan->confirmed };
    const pawl_request request = { .struct_size = sizeof request,
                                   .actor = at->actor,
                                   .idempotency_key = at->key,
                                   .correlation = at->key };
    r->code = at->bulks->options.act(at->bulks->options.context, &options, &request, &r->error);
    PW_FAULT("bulk-after-action");
}

/* One after the other, as long as there is one that nobody else has taken. */
static void help(void *context)
{
    page *at = context;
    pw_bulks *b = at->bulks;
    (void)pthread_mutex_lock(&b->lock);
    while (!b->stop && !at->broken && at->next < at->count) {
        result *r = &at->results[at->next++];
        (void)pthread_mutex_unlock(&b->lock);
        act(at, r);
        (void)pthread_mutex_lock(&b->lock);
        at->broken = at->broken || is_passing(r->code, &r->error);
    }
    (void)pthread_mutex_unlock(&b->lock);
}

/* Side by side, so that what they commit shares its fsyncs. Without memory for threads by this one
 * alone. */
static void act_on_all(page *at)
{
    pw_thread helpers[HELPERS_MAX] = { { .started = false } };
    uint32_t most = at->bulks->options.side_by_side, some = 0;
    pawl_error err;
    while (some + 1 < most && some + 1 < at->count &&
           pw_thread_start(&helpers[some], "pawl-bulk-act", help, at, &err) == PAWL_OK)
        some++;
    help(at);
    for (uint32_t i = 0; i < some; i++)
        pw_thread_join(&helpers[i]);
}

static pawl_code damaged(const page *at, pawl_error *err)
{
    return pw_fail(err, PAWL_CORRUPT,
                   "bulk operation '" PW_FMT "': its page is damaged: restore it from a backup",
                   PW_ARG(at->row.id));
}

static pawl_code read_page(page *at, pawl_error *err)
{
    pw_value list;
    pawl_code code = pw_json_parse(&list, at->row.page, NULL, at->arena, err);
    if (code != PAWL_OK)
        return code;
    if (!pw_is(list, PW_ARRAY))
        return damaged(at, err);
    at->key = pw_arena_printf(at->arena, "bulk:" PW_FMT, PW_ARG(at->row.id)).ptr;
    at->actor = pw_arena_str(at->arena, at->row.actor).ptr;
    at->results = PW_NEW_ARRAY(at->arena, result, list.count + 1);
    at->failures = PW_NEW_ARRAY(at->arena, pw_bulk_failure, list.count + 1);
    for (uint32_t i = 0; i < list.count && !at->arena->failed; i++) {
        pw_str incident = pw_text(pw_item(list, i));
        if (incident.len <= PW_ID_LENGTH)
            return damaged(at, err);
        at->results[i].id = pw_arena_str(at->arena, incident).ptr;
    }
    at->count = list.count;
    return at->arena->failed ? pw_no_memory(err) : PAWL_OK;
}

/* In the order of the page, whoever was quicker. */
static pawl_code count(page *at, pawl_error *err)
{
    if (at->next < at->count && !at->broken)
        return pw_fail(err, PAWL_BUSY, "closing");
    for (uint32_t i = 0; i < at->next; i++) {
        const result *r = &at->results[i];
        if (r->code == PAWL_OK) {
            at->done++;
        } else if (is_over(r->code, &r->error)) {
            at->skipped++;
        } else if (is_passing(r->code, &r->error)) {
            if (err)
                *err = r->error;
            return r->code;
        } else {
            const char *name = r->error.reason != PAWL_REASON_NONE
                                   ? pawl_reason_name(r->error.reason)
                                   : pawl_code_name(r->code);
            at->failures[at->failed++] = (pw_bulk_failure){ { r->id, PW_ID_LENGTH },
                                                            pw_str_of(name),
                                                            pw_str_of(r->error.message) };
        }
    }
    return PAWL_OK;
}

static pawl_code carry_out(page *at, pawl_error *err)
{
    pawl_code code = read_page(at, err);
    if (code == PAWL_OK)
        act_on_all(at);
    return code == PAWL_OK ? count(at, err) : code;
}

/* ------------------------------------------------------------------ and then */

/* The row behind the page: what came of it is counted, and if nobody has stopped it there is the
 * next one. */
static pawl_code next_row(page *at, pw_bulk *out, pawl_error *err)
{
    pw_bulk next = at->row;
    bool more = next.cursor.len > 0;
    pawl_code code = PAWL_OK;
    next.done += at->done;
    next.skipped += at->skipped;
    next.failed += at->failed;
    next.page = (pw_str){ "", 0 };
    if (more && next.state == PW_BULK_RUNNING)
        code = load(at, &next, err);
    if (!more || (next.state == PW_BULK_RUNNING && !next.page.len))
        end(&next);
    lease(at->bulks, &next);
    *out = next;
    return code;
}

/* Lost to a person, who has changed the state: then it is still our page. */
static pawl_code read_again(page *at, bool *ours, pawl_error *err)
{
    pw_bulk row;
    pawl_code code =
        pw_store_bulk_get(at->bulks->options.store, at->row.id, &row, NULL, NULL, at->arena, err);
    if (code != PAWL_OK)
        return code;
    *ours = pw_str_eq(row.page, at->row.page) && pw_str_eq(row.node, at->row.node);
    at->row = row;
    return PAWL_OK;
}

static pawl_code go_on(page *at, pawl_error *err)
{
    bool won = false, ours = true;
    pawl_code code = PAWL_OK;
    for (int i = 0; i < TRIES && code == PAWL_OK && ours && !won; i++) {
        pw_bulk next;
        code = next_row(at, &next, err);
        PW_FAULT("bulk-before-counts");
        if (code == PAWL_OK)
            code = pw_store_bulk_set(at->bulks->options.store, &next, at->failures, at->failed,
                                     &won, err);
        PW_FAULT("bulk-after-counts");
        if (code == PAWL_OK && !won)
            code = read_again(at, &ours, err);
    }
    return code;
}

/* ------------------------------------------------------------------ rounds */

/* One page of it. */
static pawl_code work_on(pw_bulks *b, const pw_bulk *row, pawl_error *err)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    page at = { .bulks = b, .row = *row, .arena = &arena };
    bool ours = false;
    pawl_code code = pw_bulk_plan_read(&at.plan, row->request, &arena, err);
    if (code == PAWL_OK)
        code = claim(&at, &ours, err);
    if (code == PAWL_OK && ours)
        code = carry_out(&at, err);
    if (code == PAWL_OK && ours)
        code = go_on(&at, err);
    pw_arena_done(&arena);
    return code;
}

typedef struct outcome {
    bool some, failing, foreign; /* done; to be tried again; another node is at one */
    uint64_t pages;
} outcome;

static pawl_code one_round(pw_bulks *b, outcome *out, pawl_error *err)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_bulk *rows = NULL;
    size_t count = 0;
    pawl_code code = pw_store_bulks(b->options.store, true, (pw_str){ 0 }, PW_PAGE_MAX, &rows,
                                    &count, &arena, err);
    for (size_t i = 0; i < count && code == PAWL_OK && !stopped(b); i++) {
        if (!is_free(b, &rows[i])) {
            out->foreign = true;
            continue;
        }
        pawl_error error = { .code = PAWL_OK };
        code = work_on(b, &rows[i], &error);
        b->options.trouble(b->options.context, rows[i].id, &error);
        out->some = out->some || code == PAWL_OK;
        out->pages += code == PAWL_OK;
        if (code == PAWL_CORRUPT || code == PAWL_INVALID)
            code = PAWL_OK; /* what cannot be read stays as it is; the others go on */
        else if (code != PAWL_OK)
            *err = error;
    }
    pw_arena_done(&arena);
    return code;
}

static uint64_t in_ms(uint64_t ms)
{
    return pw_monotonic_ns() + ms * NS_PER_MS;
}

/* When the rows are looked at again, if nobody wakes us before. */
static uint64_t next_look(const pw_bulks *b, const outcome *o)
{
    if (o->some)
        return 0;
    if (o->failing)
        return in_ms(AGAIN_MS);
    return b->options.alone ? UINT64_MAX : in_ms(b->options.lease_ms);
}

bool pw_bulks_work(pw_bulks *b, bool wait)
{
    outcome o = { .some = false };
    pawl_error err = { .code = PAWL_OK };
    (void)pthread_mutex_lock(&b->lock);
    while (wait && !b->stop && !b->woken && pw_monotonic_ns() < b->next_ns)
        (void)pw_condition_wait(&b->changed, &b->lock, b->next_ns);
    bool stop = b->stop;
    b->woken = false;
    (void)pthread_mutex_unlock(&b->lock);
    if (stop)
        return false;
    if (b->options.service)
        pw_service_begin(b->options.service, b->options.now_ms(b->options.context));
    pawl_code code = one_round(b, &o, &err);
    if (b->options.service)
        pw_service_end(b->options.service, b->options.now_ms(b->options.context), o.pages, 0, code == PAWL_OK ? NULL : &err);
    o.failing = code != PAWL_OK;
    if (code == PAWL_IO && b->options.on_failure)
        b->options.on_failure(b->options.context, &err);
    (void)pthread_mutex_lock(&b->lock);
    b->next_ns = next_look(b, &o);
    bool idle = b->busy && !o.some && !o.failing && !b->woken;
    b->busy = b->busy && !idle;
    (void)pthread_mutex_unlock(&b->lock);
    if (idle)
        b->options.busy(b->options.context, false);
    return wait || o.some;
}

void pw_bulks_wake(pw_bulks *b)
{
    (void)pthread_mutex_lock(&b->lock);
    bool more = !b->busy;
    b->woken = b->busy = true;
    pw_condition_wake(&b->changed);
    (void)pthread_mutex_unlock(&b->lock);
    if (more)
        b->options.busy(b->options.context, true);
}

/* ------------------------------------------------------------------ the object */

pawl_code pw_bulks_new(pw_bulks **out, const pw_bulks_options *options, pawl_error *err)
{
    pw_bulks *b = pw_zalloc(sizeof *b);
    if (!b)
        return pw_no_memory(err);
    b->options = *options;
    if (!b->options.lease_ms)
        b->options.lease_ms = LEASE_MS;
    if (!b->options.page)
        b->options.page = PAGE;
    if (!b->options.side_by_side)
        b->options.side_by_side = SIDE_BY_SIDE;
    PW_ASSERT(b->options.side_by_side <= HELPERS_MAX);
    int problem = pthread_mutex_init(&b->lock, NULL);
    pawl_code code =
        problem ? pw_fail_native(err, PAWL_NO_MEMORY, problem, "out of memory") : PAWL_OK;
    if (code == PAWL_OK && (code = pw_condition_init(&b->changed, err)) != PAWL_OK)
        (void)pthread_mutex_destroy(&b->lock);
    if (code != PAWL_OK) {
        pw_free(b);
        return code;
    }
    pw_bulks_wake(b); /* what was at work goes on */
    *out = b;
    return PAWL_OK;
}

void pw_bulks_stop(pw_bulks *b)
{
    (void)pthread_mutex_lock(&b->lock);
    b->stop = true;
    pw_condition_wake(&b->changed);
    (void)pthread_mutex_unlock(&b->lock);
}

void pw_bulks_free(pw_bulks *b)
{
    if (!b)
        return;
    if (b->busy)
        b->options.busy(b->options.context, false);
    pw_condition_done(&b->changed);
    (void)pthread_mutex_destroy(&b->lock);
    pw_free(b);
}
