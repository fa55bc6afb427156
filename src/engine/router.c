/* router.c - rounds: what is queued is taken, and goes through these in order:
 *
 *     give back -> put -> route what is NEW, oldest first -> claim -> answer
 *
 * All publications that wait share one transaction. A message that was put, given back, or left by
 * whoever died is NEW in the store until it is routed: so every step may be repeated, by this round
 * after a failure or by the next open, and nothing is in memory that the store does not know.
 *
 * What failed stays in its list and is tried again after a while. After PAWL_IO the committer is
 * told, which opens the store again. A caller waits until that is known to fail, no longer: its
 * messages have ids, so it may send them again.
 *
 * Order: what is given back is routed before anybody hears of it, and in one round with what was put
 * meanwhile, by number. An instance looks at no delivery while an errand of its own is under way.
 * So a loop of listens hears messages in the order in which they came. */
#include <stdlib.h>
#include "engine/engine.h"
#include "engine/matchers.h"
#include "base/json.h"

enum {
    PUT_MAX = 1000,  /* messages of one transaction: at least one publication */
    ROUTE_MAX = 128, /* messages of one transaction */
    PAGE = 100,
    GIVE_MAX = 1000, /* deliveries given back in one transaction */
    FIRST_WAIT_MS = 50, /* doubles: the committer opens the store again meanwhile */
    WAIT_MAX_MS = 1000,
    MEMORY_WAIT_MAX_MS = 100, /* somebody may give some back any time */
    FAILURES_MAX = 6, /* in a row; then nobody is kept waiting */
    CONFLICTS_MAX = 20, /* somebody adds matchers all the time: let others go first */
};

struct pw_router {
    pawl *engine;
    pthread_mutex_t lock; /* of what follows, up to the next blank line */
    pthread_cond_t changed;
    bool stop;
    pw_publication *publications, **last_publication;
    pw_errand *errands, **last_errand;
    uint64_t fed;  /* partitions whose subscriptions are to be looked at */
    uint64_t rounds_begun, rounds_ended, rounds_wanted;
    bool whole;    /* the last round did all it was asked */

    /* the thread's own */
    pw_matchers *matchers;
    pw_publication *puts, **last_put;  /* to be put, or put and not routed */
    pw_errand *work, **last_work;
    bool look;     /* the store may have NEW ones that are not in `puts` */
    uint64_t feed;
    unsigned failures; /* in a row */
    uint64_t retry_ns; /* 0: nothing is to be tried again */
    bool counted;      /* the engine is busy for what nobody waits for */
    pw_arena arena;    /* of one transaction */
};

/* ------------------------------------------------------------------ errands */

pw_errand *pw_errand_new(pw_str instance)
{
    pw_errand *e = pw_zalloc(sizeof *e);
    if (!e)
        return NULL;
    e->message.kind = PW_MESSAGE_ERRAND;
    pw_arena_init(&e->arena, 0);
    e->instance = pw_arena_str(&e->arena, instance);
    if (e->instance.ptr)
        return e;
    pw_errand_free(e);
    return NULL;
}

void pw_errand_free(pw_errand *e)
{
    if (!e)
        return;
    pw_arena_done(&e->arena);
    pw_free(e);
}

/* To the shard. From here on until it was dealt with the engine is busy. */
static void send_errand(pw_router *r, pw_errand *e)
{
    pw_mailbox_message(&pw_engine_shard_of(r->engine, e->instance)->mailbox, &e->message);
}

/* ------------------------------------------------------------------ making */

pawl_code pw_router_new(pw_router **out, pawl *p, const pw_expr_limits *limits, pawl_error *err)
{
    pw_router *r = pw_zalloc(sizeof *r);
    if (!r)
        return pw_no_memory(err);
    r->engine = p;
    r->last_publication = &r->publications;
    r->last_errand = &r->errands;
    r->last_put = &r->puts;
    r->last_work = &r->work;
    pw_arena_init(&r->arena, 0);
    int failed = pthread_mutex_init(&r->lock, NULL);
    pawl_code code =
        failed ? pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory") : PAWL_OK;
    if (code == PAWL_OK && (code = pw_condition_init(&r->changed, err)) != PAWL_OK)
        (void)pthread_mutex_destroy(&r->lock);
    if (code != PAWL_OK) {
        pw_free(r);
        return code;
    }
    code = pw_matchers_new(&r->matchers, limits, err);
    if (code != PAWL_OK) {
        pw_router_free(r);
        return code;
    }
    *out = r;
    return PAWL_OK;
}

void pw_router_free(pw_router *r)
{
    if (!r)
        return;
    PW_ASSERT(!r->publications && !r->errands && !r->puts && !r->work);
    pw_matchers_free(r->matchers);
    pw_arena_done(&r->arena);
    pw_condition_done(&r->changed);
    (void)pthread_mutex_destroy(&r->lock);
    pw_free(r);
}

/* ------------------------------------------------------------------ for any thread */

static void answer(pw_router *r, pw_publication *p, pawl_code code, const pawl_error *err)
{
    p->code = code;
    if (code != PAWL_OK)
        p->error = *err;
    PW_FAULT("router-before-answer");
    pw_reply_give(&p->reply); /* the last use of it */
    pw_engine_busy(r->engine, false);
}

void pw_router_publish(pw_router *r, pw_publication *p)
{
    p->next = NULL;
    pw_engine_busy(r->engine, true);
    (void)pthread_mutex_lock(&r->lock);
    bool stop = r->stop;
    if (!stop) {
        *r->last_publication = p;
        r->last_publication = &p->next;
        pw_condition_wake(&r->changed);
    }
    (void)pthread_mutex_unlock(&r->lock);
    pawl_error closing;
    if (stop)
        answer(r, p, pw_fail(&closing, PAWL_BUSY, "closing"), &closing);
}

void pw_router_errand(pw_router *r, pw_errand *e)
{
    e->next = NULL;
    e->claimed = 0;
    e->given = e->came_back = e->bounced = false;
    pw_engine_busy(r->engine, true);
    (void)pthread_mutex_lock(&r->lock);
    e->bounced = r->stop;
    if (!r->stop) {
        *r->last_errand = e;
        r->last_errand = &e->next;
        pw_condition_wake(&r->changed);
    }
    bool bounced = e->bounced;
    (void)pthread_mutex_unlock(&r->lock);
    if (bounced)
        send_errand(r, e);
}

bool pw_router_look(pw_router *r, uint64_t partitions)
{
    (void)pthread_mutex_lock(&r->lock);
    uint64_t wanted = r->rounds_begun + 1;
    if (r->rounds_wanted < wanted)
        r->rounds_wanted = wanted;
    r->fed |= partitions;
    pw_condition_wake(&r->changed);
    while (r->rounds_ended < wanted && !r->stop)
        (void)pw_condition_wait(&r->changed, &r->lock, UINT64_MAX);
    bool whole = r->rounds_ended >= wanted && r->whole;
    (void)pthread_mutex_unlock(&r->lock);
    return whole;
}

void pw_router_stop(pw_router *r)
{
    (void)pthread_mutex_lock(&r->lock);
    r->stop = true;
    pw_condition_wake(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

/* ------------------------------------------------------------------ giving back */

static size_t to_give(const pw_errand *e)
{
    return e->given ? 0 : e->back_count;
}

static pawl_code give_back(pw_router *r, pawl_error *err)
{
    for (pw_errand *e = r->work; e;) {
        pw_delivery_back *rows = NULL;
        size_t count = 0;
        pw_errand *end = e;
        for (; end && (count == 0 || count + to_give(end) <= GIVE_MAX); end = end->next)
            count += to_give(end);
        if (count == 0)
            return PAWL_OK;
        pw_arena_reset(&r->arena);
        rows = PW_NEW_ARRAY(&r->arena, pw_delivery_back, count);
        if (!rows)
            return pw_no_memory(err);
        count = 0;
        for (pw_errand *at = e; at != end; at = at->next) {
            if (to_give(at))
                memcpy(rows + count, at->back, at->back_count * sizeof *rows);
            count += to_give(at);
        }
        PW_FAULT("router-before-back");
        pawl_code code = pw_store_deliveries_give_back(r->engine->store, rows, count, err);
        if (code != PAWL_OK)
            return code;
        PW_FAULT("router-after-back");
        r->look = true;
        for (; e != end; e = e->next)
            e->given = true;
    }
    return PAWL_OK;
}

/* ------------------------------------------------------------------ putting */

static void drop_put(pw_router *r, pw_publication **at)
{
    pw_publication *p = *at;
    *at = p->next;
    if (r->last_put == &p->next)
        r->last_put = at;
}

/* Was the row that is there written by a try of ours, whose outcome we did not hear of? */
static pawl_code is_ours(pw_router *r, const pw_message_row *row, bool *ours, pawl_error *err)
{
    pw_message_row there = { 0 };
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_code code =
        pw_store_message_get(r->engine->store, row->source, row->id, &there, &arena, err);
    *ours = code == PAWL_OK && there.nonce == row->nonce;
    pw_arena_done(&arena);
    return code == PAWL_NOT_FOUND ? PAWL_OK : code;
}

/* What a repeated put found there is a duplicate only if it was not put by the try before. */
static pawl_code judge_unsure(pw_router *r, pw_publication *p, pawl_error *err)
{
    for (size_t i = 0; i < p->count; i++) {
        pw_message_row *row = &p->rows[i];
        bool ours = row->existed;
        for (size_t j = 0; j < i && ours; j++) /* twice in one publication */
            ours = p->rows[j].number != row->number;
        pawl_code code = ours ? is_ours(r, row, &ours, err) : PAWL_OK;
        if (code != PAWL_OK)
            return code;
        row->existed = row->existed && !ours;
    }
    p->unsure = false;
    return PAWL_OK;
}

/* Those from `first` up to `end` in one transaction. */
static pawl_code put_some(pw_router *r, pw_publication *first, const pw_publication *end,
                          size_t count, pawl_error *err)
{
    pw_arena_reset(&r->arena);
    pw_message_row *rows = PW_NEW_ARRAY(&r->arena, pw_message_row, count);
    if (!rows)
        return pw_no_memory(err);
    size_t at = 0;
    for (const pw_publication *p = first; p != end; at += p->count, p = p->next)
        memcpy(rows + at, p->rows, p->count * sizeof *rows);
    PW_FAULT("router-before-put");
    pawl_code code = pw_store_messages_put(r->engine->store, rows, count, err);
    at = 0;
    for (pw_publication *p = first; p != end; p = p->next) {
        if (code == PAWL_IO)
            p->unsure = true;
        for (size_t i = 0; i < p->count && code == PAWL_OK; i++, at++) {
            p->rows[i].number = rows[at].number;
            p->rows[i].state = rows[at].state;
            p->rows[i].existed = rows[at].existed;
        }
        p->put = code == PAWL_OK;
    }
    if (code != PAWL_OK)
        return code;
    PW_FAULT("router-after-put");
    for (pw_publication *p = first; p != end; p = p->next)
        if (p->unsure && (code = judge_unsure(r, p, err)) != PAWL_OK)
            return code;
    return PAWL_OK;
}

/* A publication that is refused is so alone. */
static pawl_code put(pw_router *r, pawl_error *err)
{
    pw_publication **at = &r->puts;
    while (*at) {
        pw_publication *first = *at;
        if (first->put && !first->unsure) {
            at = &first->next;
            continue;
        }
        size_t count = 0;
        pw_publication *end = first;
        for (; end && (count == 0 || count + end->count <= PUT_MAX); end = end->next)
            count += end->count;
        pawl_code code = put_some(r, first, end, count, err);
        bool refused = code == PAWL_INVALID || code == PAWL_NO_MEMORY;
        if (refused && first->next != end) { /* which one is it? */
            end = first->next;
            code = put_some(r, first, end, first->count, err);
            refused = code == PAWL_INVALID || code == PAWL_NO_MEMORY;
        }
        if (refused && !first->unsure) {
            drop_put(r, at);
            answer(r, first, code, err);
            continue;
        }
        if (code != PAWL_OK)
            return code;
        while (*at != end)
            at = &(*at)->next;
    }
    return PAWL_OK;
}

/* ------------------------------------------------------------------ routing */

/* The publication's row that is this message and waits to be routed. */
static pw_message_row *row_of(pw_router *r, uint64_t number, uint32_t **deliveries)
{
    for (pw_publication *p = r->puts; p; p = p->next)
        for (size_t i = 0; i < p->count && p->put; i++)
            if (p->rows[i].number == number && !p->rows[i].existed) {
                *deliveries = &p->deliveries[i];
                return &p->rows[i];
            }
    return NULL;
}

static int by_instance(const void *a, const void *b)
{
    return pw_str_cmp((*(pw_errand *const *)a)->instance, (*(pw_errand *const *)b)->instance);
}

/* Notes which of the errands' instances got something. */
static void note_came_back(pw_router *r, const pw_delivery_target *targets, size_t count)
{
    size_t n = 0;
    for (const pw_errand *e = r->work; e; e = e->next)
        n++;
    pw_errand **errands = n && count ? PW_NEW_ARRAY(&r->arena, pw_errand *, n) : NULL;
    if (!errands)
        return; /* a hint only */
    n = 0;
    for (pw_errand *e = r->work; e; e = e->next)
        errands[n++] = e;
    qsort(errands, n, sizeof(pw_errand *), by_instance);
    for (size_t i = 0; i < count; i++) {
        size_t low = 0, high = n;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (pw_str_cmp(errands[middle]->instance, targets[i].instance) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        for (; low < n && pw_str_eq(errands[low]->instance, targets[i].instance); low++)
            errands[low]->came_back = true;
    }
}

/* Instances of other nodes are found by these, at their next check. */
static void tell(pw_router *r, const pw_delivery_target *targets, size_t count)
{
    uint64_t held = pw_leases_held(r->engine->leases);
    for (size_t i = 0; i < count; i++) {
        bool told = i > 0 && pw_str_eq(targets[i].instance, targets[i - 1].instance);
        if (told || !(held >> targets[i].partition & 1))
            continue;
        pw_errand *notice = pw_errand_new(targets[i].instance);
        if (!notice) /* the next check finds it */
            continue;
        pw_engine_busy(r->engine, true);
        send_errand(r, notice);
    }
}

/* A body that cannot be read fits nobody: it was checked when it came. */
static pawl_code make_route(pw_router *r, pw_message_route *out, const pw_message_row *row,
                            pawl_error *err)
{
    pw_value message = { 0 };
    pw_str *hashes = NULL;
    *out = (pw_message_route){ .number = row->number };
    pawl_code code = pw_json_parse(&message, row->body, NULL, &r->arena, err);
    if (code == PAWL_OK)
        code = pw_matchers_hashes(r->matchers, message, row->received_ms, &hashes, &out->count,
                                  &r->arena, err);
    out->hashes = hashes;
    return code == PAWL_NO_MEMORY ? code : PAWL_OK;
}

/* `rows` outlive the arena. */
static pawl_code route_rows(pw_router *r, const pw_message_row *rows, size_t count, pawl_error *err)
{
    pawl_code code = PAWL_CONFLICT;
    pw_message_route *routes = NULL;
    pw_delivery_target *targets = NULL;
    size_t target_count = 0;
    for (unsigned tries = 0; code == PAWL_CONFLICT && tries < CONFLICTS_MAX; tries++) {
        pw_arena_reset(&r->arena);
        routes = PW_NEW_ARRAY(&r->arena, pw_message_route, count);
        code = routes ? pw_matchers_refresh(r->matchers, r->engine->store, err) : pw_no_memory(err);
        for (size_t i = 0; i < count && code == PAWL_OK; i++)
            code = make_route(r, &routes[i], &rows[i], err);
        if (code != PAWL_OK)
            return code;
        PW_FAULT("router-before-route");
        code = pw_store_messages_route(r->engine->store, pw_matchers_count(r->matchers), routes,
                                       count, pw_engine_now(r->engine), &targets, &target_count,
                                       &r->arena, err);
    }
    if (code != PAWL_OK)
        return code;
    PW_FAULT("router-after-route");
    for (size_t i = 0; i < count; i++) {
        uint32_t *deliveries = NULL;
        pw_message_row *row = row_of(r, routes[i].number, &deliveries);
        if (row) {
            row->state = routes[i].state;
            *deliveries += routes[i].delivered;
        }
    }
    note_came_back(r, targets, target_count);
    tell(r, targets, target_count);
    return PAWL_OK;
}

/* All that is NEW, page by page, oldest first. */
static pawl_code route_stored(pw_router *r, pawl_error *err)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_code code = PAWL_OK;
    uint64_t after = 0;
    for (size_t count = 1; count > 0 && code == PAWL_OK;) {
        pw_message_row *rows = NULL;
        pw_arena_reset(&arena);
        count = 0;
        code = pw_store_messages_new(r->engine->store, after, ROUTE_MAX, &rows, &count, &arena, err);
        if (code == PAWL_OK && count > 0)
            code = route_rows(r, rows, count, err);
        if (count > 0)
            after = rows[count - 1].number;
    }
    pw_arena_done(&arena);
    return code;
}

/* What was just put and nobody put before. */
static pawl_code route_put(pw_router *r, pawl_error *err)
{
    pw_message_row rows[ROUTE_MAX];
    size_t count = 0;
    pawl_code code = PAWL_OK;
    for (const pw_publication *p = r->puts; p && code == PAWL_OK; p = p->next)
        for (size_t i = 0; i < p->count && code == PAWL_OK; i++) {
            if (p->rows[i].state == PW_MESSAGE_NEW && !p->rows[i].existed)
                rows[count++] = p->rows[i];
            if (count == ROUTE_MAX) {
                code = route_rows(r, rows, count, err);
                count = 0;
            }
        }
    return code == PAWL_OK && count ? route_rows(r, rows, count, err) : code;
}

static pawl_code route(pw_router *r, pawl_error *err)
{
    /* one that was there and is NEW was left by a process that died, or is another's just now */
    for (const pw_publication *p = r->puts; p && !r->look; p = p->next)
        for (size_t i = 0; i < p->count && !r->look; i++)
            r->look = p->rows[i].existed && p->rows[i].state == PW_MESSAGE_NEW;
    pawl_code code = r->look ? route_stored(r, err) : route_put(r, err);
    if (code == PAWL_OK)
        r->look = false;
    return code;
}

/* ------------------------------------------------------------------ claiming */

/* Looks at every kept message of the matcher's type, and adds its keys. */
static pawl_code complete(pw_router *r, pw_str digest, pw_str type, pawl_error *err)
{
    pw_store *store = r->engine->store;
    uint64_t after = 0;
    bool last = false;
    pawl_code code = PAWL_OK;
    while (!last && code == PAWL_OK) {
        pw_arena_reset(&r->arena);
        pw_message_row *rows = NULL;
        size_t count = 0, made = 0;
        code = pw_store_messages_kept(store, type, pw_engine_now(r->engine), after, PAGE, &rows,
                                      &count, &r->arena, err);
        pw_message_key *keys =
            code == PAWL_OK ? PW_NEW_ARRAY(&r->arena, pw_message_key, count + 1) : NULL;
        if (code == PAWL_OK && !keys)
            code = pw_no_memory(err);
        for (size_t i = 0; i < count && code == PAWL_OK; i++) {
            pw_value message = { 0 };
            char hash[65];
            bool found = false;
            code = pw_json_parse(&message, rows[i].body, NULL, &r->arena, err);
            if (code == PAWL_OK)
                code = pw_matchers_hash(r->matchers, digest, message, rows[i].received_ms, hash, &found,
                                        &r->arena, err);
            if (code != PAWL_NO_MEMORY)
                code = PAWL_OK;
            if (found)
                keys[made++] = (pw_message_key){ pw_arena_str(&r->arena, (pw_str){ hash, 64 }),
                                                 rows[i].number };
            after = rows[i].number;
        }
        if (code == PAWL_OK && r->arena.failed)
            code = pw_no_memory(err);
        last = count == 0;
        PW_FAULT("router-before-keys");
        if (code == PAWL_OK)
            code = pw_store_message_keys_put(store, digest, keys, made, last, err);
    }
    return code == PAWL_OK ? pw_matchers_refresh(r->matchers, store, err) : code;
}

static pawl_code complete_all(pw_router *r, pawl_error *err)
{
    char digest[129];
    size_t length = 0;
    pw_str found, type;
    pawl_code code = pw_matchers_refresh(r->matchers, r->engine->store, err);
    while (code == PAWL_OK && pw_matchers_next_incomplete(
                                  r->matchers, (pw_str){ digest, length }, &found, &type)) {
        length = found.len < sizeof digest ? found.len : sizeof digest;
        memcpy(digest, found.ptr, length);
        code = complete(r, (pw_str){ digest, length }, type, err);
    }
    return code;
}

/* One message for each subscription; the shard asks again when it was taken or given back. */
static pawl_code claim(pw_router *r, pw_errand *e, pawl_error *err)
{
    for (size_t i = 0; i < e->subscription_count; i++) {
        const pw_subscription *s = &e->subscriptions[i];
        uint32_t claimed = 0;
        pw_str type;
        pawl_code code = PAWL_OK;
        if (pw_matchers_incomplete(r->matchers, s->matcher.digest, &type))
            code = complete(r, s->matcher.digest, type, err);
        PW_FAULT("router-before-claim");
        if (code == PAWL_OK)
            code = pw_store_messages_claim(r->engine->store, e->instance, s->visit, s->hash, 1,
                                           pw_engine_now(r->engine), &claimed, err);
        PW_FAULT("router-after-claim");
        e->claimed += code == PAWL_OK ? claimed : 1; /* perhaps: who hears of it asks again */
        if (code != PAWL_OK)
            return code;
    }
    return PAWL_OK;
}

static pawl_code do_errands(pw_router *r, pawl_error *err)
{
    bool wants = false;
    for (const pw_errand *e = r->work; e && !wants; e = e->next)
        wants = e->subscription_count > 0;
    pawl_code code = wants ? pw_matchers_refresh(r->matchers, r->engine->store, err) : PAWL_OK;
    while (r->work && code == PAWL_OK) {
        pw_errand *e = r->work;
        code = claim(r, e, err);
        if (code != PAWL_OK)
            break;
        r->work = e->next;
        if (!r->work)
            r->last_work = &r->work;
        e->next = NULL;
        send_errand(r, e);
    }
    return code;
}

/* ------------------------------------------------------------------ what was left */

static bool copy_subscription(pw_errand *e, const pw_subscription *from)
{
    e->subscriptions = PW_NEW(&e->arena, pw_subscription);
    if (!e->subscriptions)
        return false;
    e->visit = from->visit;
    e->subscription_count = 1;
    *e->subscriptions = (pw_subscription){
        .visit = from->visit,
        .ordinal = from->ordinal,
        .matcher.digest = pw_arena_str(&e->arena, from->matcher.digest),
        .hash = pw_arena_str(&e->arena, from->hash),
    };
    return !e->arena.failed;
}

/* Subscriptions for which something is kept: whoever opened them died before it claimed. */
static pawl_code feed(pw_router *r, pawl_error *err)
{
    if (!r->feed)
        return PAWL_OK;
    pawl_code code = complete_all(r, err);
    pw_arena arenas[2]; /* the page before holds where the next begins */
    pw_arena_init(&arenas[0], 0);
    pw_arena_init(&arenas[1], 0);
    const pw_subscription_row *after = NULL;
    for (unsigned page = 0; code == PAWL_OK; page++) {
        pw_arena *arena = &arenas[page % 2];
        pw_subscription_row *rows = NULL;
        size_t count = 0;
        pw_arena_reset(arena);
        code = pw_store_subscriptions_fed(r->engine->store, r->feed, after, PAGE, &rows, &count,
                                          arena, err);
        for (size_t i = 0; i < count && code == PAWL_OK; i++) {
            pw_errand *e = pw_errand_new(rows[i].instance);
            if (!e || !copy_subscription(e, &rows[i].subscription))
                code = pw_no_memory(err);
            if (code == PAWL_OK)
                code = claim(r, e, err);
            if (code != PAWL_OK || e->claimed == 0) {
                pw_errand_free(e);
                continue;
            }
            pw_engine_busy(r->engine, true);
            send_errand(r, e);
        }
        if (code == PAWL_OK && count == 0)
            break;
        if (count)
            after = &rows[count - 1];
    }
    pw_arena_done(&arenas[0]);
    pw_arena_done(&arenas[1]);
    if (code == PAWL_OK)
        r->feed = 0;
    return code;
}

/* ------------------------------------------------------------------ rounds */

static void answer_all(pw_router *r)
{
    while (r->puts) {
        pw_publication *p = r->puts;
        drop_put(r, &r->puts);
        answer(r, p, PAWL_OK, NULL);
    }
}

/* The store fails: of what is stored that is told, and of the rest the truth. */
static void answer_failed(pw_router *r, pawl_code code, const pawl_error *why)
{
    while (r->puts) {
        pw_publication *p = r->puts;
        drop_put(r, &r->puts);
        pawl_error err = *why;
        if (p->put && !p->unsure) {
            r->look = true; /* routed when the store works */
            answer(r, p, PAWL_OK, NULL);
            continue;
        }
        if (p->unsure) {
            r->look = true; /* what was stored is routed */
            (void)pw_fail(&err, PAWL_IO,
                          "the store failed (%.200s), and it is not known whether the messages are "
                          "stored: send them again, with the same ids",
                          why->message);
            answer(r, p, PAWL_IO, &err);
        } else {
            answer(r, p, code, &err);
        }
    }
}

static bool has_work(const pw_router *r)
{
    return r->puts || r->work || r->look || r->feed;
}

/* What came of it goes to its service. */
static void end_round(pw_router *r, uint64_t items, const pawl_error *err)
{
    pw_service_end(&r->engine->services[PW_SERVICE_MESSAGES], pw_engine_now(r->engine), items, 0, err);
}

/* What was asked is answered, and all else stays as it is until there is room on the disk. */
static bool pauses(pw_router *r)
{
    pawl_error err;
    if (pw_disk_allows(r->engine, false, &err) == PAWL_OK)
        return false;
    answer_failed(r, err.code, &err);
    r->retry_ns = pw_monotonic_ns() + WAIT_MAX_MS * UINT64_C(1000000);
    return true;
}

static void run_round(pw_router *r)
{
    pawl_error err = { .code = PAWL_OK };
    uint64_t items = 0;
    if (pauses(r))
        return;
    for (const pw_publication *p = r->puts; p; p = p->next)
        items += p->count;
    pw_service_begin(&r->engine->services[PW_SERVICE_MESSAGES], pw_engine_now(r->engine));
    pawl_code code = give_back(r, &err);
    if (code == PAWL_OK)
        code = put(r, &err);
    if (code == PAWL_OK)
        code = route(r, &err);
    if (code == PAWL_OK) {
        answer_all(r);
        code = do_errands(r, &err);
    }
    if (code == PAWL_OK)
        code = feed(r, &err);
    pw_arena_reset(&r->arena);
    if (code == PAWL_OK) {
        r->failures = 0;
        r->retry_ns = 0;
        end_round(r, items, NULL);
        return;
    }
    if (err.code != code)
        (void)pw_fail(&err, code, "the messages could not be dealt with");
    end_round(r, 0, &err);
    if (code == PAWL_IO)
        pw_committer_suspect(r->engine->committer, &err);
    const uint64_t most = code == PAWL_NO_MEMORY ? MEMORY_WAIT_MAX_MS : WAIT_MAX_MS;
    uint64_t wait_ms = FIRST_WAIT_MS;
    for (unsigned i = 0; i < r->failures && wait_ms < most; i++)
        wait_ms *= 2;
    r->failures++;
    if (r->failures >= FAILURES_MAX || (r->failures > 1 && pw_engine_degraded(r->engine, NULL)))
        answer_failed(r, code, &err);
    r->retry_ns =
        pw_monotonic_ns() + (wait_ms < most ? wait_ms : most) * 1000000u;
}

/* Publications and errands are counted one by one. */
static void count_busy(pw_router *r, bool busy)
{
    if (r->counted != busy)
        pw_engine_busy(r->engine, busy);
    r->counted = busy;
}

static void take_queued(pw_router *r)
{
    *r->last_put = r->publications;
    if (r->publications)
        r->last_put = r->last_publication;
    r->publications = NULL;
    r->last_publication = &r->publications;
    *r->last_work = r->errands;
    if (r->errands)
        r->last_work = r->last_errand;
    r->errands = NULL;
    r->last_errand = &r->errands;
    r->feed |= r->fed;
    r->fed = 0;
}

/* Nobody is left waiting; what is stored is found by the next open. */
static void let_go(pw_router *r)
{
    pawl_error closing;
    (void)pw_fail(&closing, PAWL_BUSY, "closing");
    answer_failed(r, PAWL_BUSY, &closing);
    while (r->work) {
        pw_errand *e = r->work;
        r->work = e->next;
        e->bounced = true;
        send_errand(r, e);
    }
    r->last_work = &r->work;
}

bool pw_router_work(pw_router *r, bool wait)
{
    (void)pthread_mutex_lock(&r->lock);
    for (;;) {
        bool asked = r->publications || r->errands || r->rounds_wanted > r->rounds_begun;
        uint64_t now = pw_monotonic_ns();
        if (!wait || r->stop || (r->retry_ns ? now >= r->retry_ns : asked))
            break;
        (void)pw_condition_wait(&r->changed, &r->lock, r->retry_ns ? r->retry_ns : UINT64_MAX);
    }
    take_queued(r);
    if (r->rounds_wanted > r->rounds_begun)
        r->look = true;
    bool stop = r->stop;
    r->rounds_begun++;
    (void)pthread_mutex_unlock(&r->lock);
    if (!stop)
        run_round(r);
    else
        let_go(r);
    count_busy(r, !stop && (r->look || r->feed));
    (void)pthread_mutex_lock(&r->lock);
    r->rounds_ended = r->rounds_begun;
    r->whole = !has_work(r);
    pw_condition_wake(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
    return !stop;
}
