/* hear.c - deliveries wait in the store until a step takes them. A look at them (a scan) goes from
 * the oldest to the newest and asks core of each:
 *
 *     taken -> a step is committed; the next
 *     not now (suspended, or a foreach is at work) -> skipped; looked at again after the next commit
 *         by which the state may hear, from the oldest; until then only at what is newer
 *     not wanted -> given back through the router; until that is done nothing is decided, then the
 *         scan begins again
 *
 * Nothing is decided while an errand is under way either: what was kept is older than what comes in.
 * So each listen hears messages by their numbers.
 *
 * A listen in a loop closes its bookmark with each message, and what was delivered to it meanwhile
 * goes back, mostly to come to the next listen of the same instance. If all went back at once, and
 * all came again, n messages would cost n * n deliveries. So an instance that can hear gives back
 * one at a time, twice as many when nothing of it came back; one that cannot gives back all. */
#include "engine/engine.h"

enum { PAGE = 16, PAGE_BYTES = 8 << 20, GIVE_MAX = 128 };

static pw_hearing *hearing_of(pw_live *live)
{
    if (!live->hearing) {
        live->hearing = pw_zalloc(sizeof *live->hearing);
        if (live->hearing) {
            pw_arena_init(&live->hearing->arena, 0);
            live->hearing->give_most = 1;
        }
    }
    return live->hearing;
}

static void free_list(pw_errand *e)
{
    while (e) {
        pw_errand *next = e->next;
        pw_errand_free(e);
        e = next;
    }
}

void pw_hearing_free(pw_live *live)
{
    pw_hearing *h = live->hearing;
    if (!h)
        return;
    free_list(h->fed); /* those sent come back to nobody, and go then */
    pw_errand_free(h->giving);
    pw_arena_done(&h->arena);
    pw_free(h);
    live->hearing = NULL;
}

void pw_hear_forget(pw_live *live)
{
    live->skipped = false;
    if (!live->hearing)
        return;
    live->hear = true; /* what the scan had not reached */
    live->hearing->restart = true;
}

void pw_hear_loaded(pw_live *live)
{
    live->hear = live->hear || pw_state_hears(live->state);
    live->skipped = !pw_live_over(live);
}

bool pw_hear_waits(const pw_live *live)
{
    const pw_hearing *h = live->hearing;
    return live->hear || (h && (h->sent || h->giving || h->scanning));
}

bool pw_hear_holds(const pw_live *live)
{
    return live->hearing && live->hearing->giving;
}

static void end_scan(pw_hearing *h)
{
    h->scanning = h->restart = h->last = false;
    h->rows = NULL;
    h->count = h->at = 0;
    h->after = 0;
    pw_arena_done(&h->arena); /* an idle instance keeps no page */
    pw_arena_init(&h->arena, 0);
}

static void send(pw_shard *shard, pw_live *live, pw_errand *e)
{
    e->sibling = live->hearing->sent;
    live->hearing->sent = e;
    pw_router_errand(shard->engine->router, e);
}

/* ------------------------------------------------------------------ giving back */

static void send_back(pw_shard *shard, pw_live *live)
{
    pw_hearing *h = live->hearing;
    pw_errand *e = h->giving;
    h->giving = NULL;
    end_scan(h);
    live->hear = true;
    send(shard, live, e);
}

/* Adds the row that is looked at to what goes back, and goes on. */
static pawl_code collect(pw_live *live, pawl_error *err)
{
    pw_hearing *h = live->hearing;
    if (!h->giving) {
        pw_errand *e = pw_errand_new(pw_live_id(live));
        if (e)
            e->back = PW_NEW_ARRAY(&e->arena, pw_delivery_back, GIVE_MAX);
        if (!e || !e->back) {
            pw_errand_free(e);
            return pw_no_memory(err);
        }
        h->giving = e;
    }
    PW_ASSERT(h->giving->back_count < GIVE_MAX);
    h->giving->back[h->giving->back_count++] = (pw_delivery_back){
        h->giving->instance, h->rows[h->at].visit, h->rows[h->at].number
    };
    h->at++;
    return PAWL_OK;
}

static bool collected_enough(const pw_live *live)
{
    bool hears = !pw_live_over(live) && pw_state_hears(live->state);
    return live->hearing->giving->back_count >= (hears ? live->hearing->give_most : GIVE_MAX);
}

/* ------------------------------------------------------------------ the scan */

static pawl_code read_page(pw_shard *shard, const pw_live *live, pawl_error *err)
{
    pw_hearing *h = live->hearing;
    h->rows = NULL;
    h->count = h->at = 0;
    pw_arena_reset(&h->arena);
    pawl_code code = pw_store_deliveries(shard->engine->store, pw_live_id(live), h->after, PAGE,
                                         &h->rows, &h->count, &h->arena, err);
    if (code != PAWL_OK) {
        h->rows = NULL;
        h->count = 0;
        return code;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < h->count; i++)
        bytes += h->rows[i].body.len;
    h->last = h->count < PAGE && bytes < PAGE_BYTES;
    if (h->count)
        h->after = h->rows[h->count - 1].number;
    return PAWL_OK;
}

/* Messages that were there before the partition was ours are routed first. */
static bool may_hear(pw_shard *shard, pw_live *live)
{
    if (atomic_load(&shard->engine->routed) >> live->slot->partition & 1)
        return true;
    live->hear = false; /* the recovery tells it again */
    live->skipped = true;
    if (live->hearing)
        end_scan(live->hearing);
    return false;
}

static pawl_code next_row(pw_shard *shard, pw_live *live, const pw_delivery_row **out,
                          pawl_error *err)
{
    pw_hearing *h = live->hearing;
    bool ended = pw_live_over(live);
    pawl_code code = PAWL_OK;
    if (h->restart) {
        end_scan(h);
        h->seen = 0;
    }
    while (code == PAWL_OK && !h->sent) {
        if (h->giving && (!h->scanning || collected_enough(live))) {
            send_back(shard, live);
        } else if (!h->scanning) {
            if (!live->hear)
                return PAWL_OK;
            live->hear = false;
            end_scan(h);
            h->scanning = true;
            h->after = h->seen;
        } else if (h->at < h->count && !ended) {
            *out = &h->rows[h->at];
            return PAWL_OK;
        } else if (h->at < h->count) {
            code = collect(live, err);
        } else if (h->last) {
            h->seen = live->skipped ? h->after : 0;
            end_scan(h);
        } else {
            code = read_page(shard, live, err);
        }
    }
    return code;
}

const pw_delivery_row *pw_hear_next(pw_shard *shard, pw_live *live)
{
    const pw_delivery_row *row = NULL;
    pawl_error err = { .code = PAWL_OK };
    if (!pw_hear_waits(live) || (live->hearing && live->hearing->sent) || !may_hear(shard, live))
        return NULL;
    pawl_code code = hearing_of(live) ? next_row(shard, live, &row, &err) : pw_no_memory(&err);
    if (code != PAWL_OK)
        pw_retry_later(shard, live, &err);
    return row;
}

void pw_hear_taken(pw_live *live)
{
    live->hearing->at++;
}

void pw_hear_refused(pw_shard *shard, pw_live *live, pawl_code why)
{
    pawl_error err = { .code = PAWL_OK };
    if (why == PAWL_CONFLICT) {
        send_back(shard, live);
    } else if (why == PAWL_BUSY) {
        live->skipped = true;
        live->hearing->at++;
    } else if (collect(live, &err) != PAWL_OK) {
        pw_retry_later(shard, live, &err);
    }
}

void pw_hear_moved(pw_live *live)
{
    const pw_transition *t = &live->commit.transition;
    if (!live->skipped ||
        !(pw_live_over(live) || pw_state_hears(live->state) || t->bookmark_end_count))
        return;
    live->skipped = false;
    live->hear = true;
    if (live->hearing)
        live->hearing->restart = true;
}

/* ------------------------------------------------------------------ subscriptions */

static pawl_code add_subscription(pw_errand **list, const pw_live *live, const pw_subscription *from,
                                  size_t most, pawl_error *err)
{
    pw_errand *e = *list;
    while (e && e->visit != from->visit)
        e = e->next;
    if (!e) {
        e = pw_errand_new(pw_live_id(live));
        if (e)
            e->subscriptions = PW_NEW_ARRAY(&e->arena, pw_subscription, most);
        if (!e || !e->subscriptions) {
            pw_errand_free(e);
            return pw_no_memory(err);
        }
        e->visit = from->visit;
        e->next = *list;
        *list = e;
    }
    e->subscriptions[e->subscription_count++] = (pw_subscription){
        .visit = from->visit,
        .ordinal = from->ordinal,
        .matcher.digest = pw_arena_str(&e->arena, from->matcher.digest),
        .hash = pw_arena_str(&e->arena, from->hash),
    };
    return e->arena.failed ? pw_no_memory(err) : PAWL_OK;
}

pawl_code pw_hear_prepare(pw_live *live, pawl_error *err)
{
    const pw_transition *t = &live->commit.transition;
    pawl_code code = t->subscription_count && !hearing_of(live) ? pw_no_memory(err) : PAWL_OK;
    for (size_t i = 0; i < t->subscription_count && code == PAWL_OK; i++)
        code = add_subscription(&live->commit.errands, live, &t->subscriptions[i],
                                t->subscription_count - i, err);
    return code;
}

/* Sends those for which something was taken or given back again; frees those that are over. */
static void feed_again(pw_shard *shard, pw_live *live, bool (*again)(const void *of, uint64_t visit),
                       bool (*over)(const void *of, uint64_t visit), const void *of)
{
    for (pw_errand **at = &live->hearing->fed; *at;) {
        pw_errand *e = *at;
        bool ends = over && over(of, e->visit);
        if (!ends && !again(of, e->visit)) {
            at = &e->next;
            continue;
        }
        *at = e->next;
        if (ends)
            pw_errand_free(e);
        else
            send(shard, live, e);
    }
}

static bool was_taken(const void *of, uint64_t visit)
{
    const pw_transition *t = of;
    for (size_t i = 0; i < t->taken_count; i++)
        if (t->taken[i].visit == visit)
            return true;
    return false;
}

static bool has_ended(const void *of, uint64_t visit)
{
    const pw_transition *t = of;
    for (size_t i = 0; i < t->bookmark_end_count; i++)
        if (t->bookmark_ends[i].visit == visit)
            return true;
    return pw_transition_over(t);
}

static bool was_given_back(const void *of, uint64_t visit)
{
    const pw_errand *e = of;
    for (size_t i = 0; i < e->back_count; i++)
        if (e->back[i].visit == visit)
            return true;
    return false;
}

void pw_hear_act(pw_shard *shard, pw_live *live)
{
    if (live->hearing)
        feed_again(shard, live, was_taken, has_ended, &live->commit.transition);
    while (live->commit.errands) {
        pw_errand *e = live->commit.errands;
        live->commit.errands = e->next;
        send(shard, live, e);
    }
}

/* ------------------------------------------------------------------ errands that come back */

static bool is_ours(pw_live *live, const pw_errand *errand)
{
    pw_errand **at = live->hearing ? &live->hearing->sent : NULL;
    while (at && *at && *at != errand)
        at = &(*at)->sibling;
    if (!at || !*at)
        return false;
    *at = errand->sibling;
    return true;
}

bool pw_hear_returned(pw_shard *shard, pw_live *live, pw_errand *e)
{
    bool ours = is_ours(live, e);
    pw_hearing *h = live->hearing;
    if (!ours || e->claimed || e->back_count) {
        live->hear = true;
        if (h && ours)
            h->restart = true;
    }
    if (ours && e->back_count) {
        h->give_most = e->came_back ? 1 : h->give_most < GIVE_MAX / 2 ? 2 * h->give_most : GIVE_MAX;
        feed_again(shard, live, was_given_back, NULL, e);
    }
    h = e->claimed && !e->reply ? hearing_of(live) : NULL;
    if (!h)
        return false;
    e->next = h->fed;
    h->fed = e;
    return true;
}
