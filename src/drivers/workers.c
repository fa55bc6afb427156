/* workers.c - the board: see workers.h.
 *
 *                 put                       a poll has room
 *       UNSURE, LATER --time--> READY ---------------------------> TAKEN: its owner is asked
 *     PARKED --unpark------------'^<-- refused, or its poll has gone -'   | given
 *                                 ^<-- nobody heard of it ------------ LEASED
 *             removed <--done-- ENDING: its owner is told <-- lease or deadline over -'
 *
 * Places      What is ready waits in its level (function, namespace, priority), first come, first
 *             served. A poll waits at each function that it names or, if it names namespaces, at
 *             each lane (function, namespace): neither looks at what is not for it. A poll that
 *             has taken something waits nowhere until the owners have answered.
 * Lock        One, for a few lines; hooks are called without it, by leave(): tickets and polls
 *             that are to be told of something are collected until then.
 * Memory      All that a ticket needs is got when it is made: putting it on the board, and what
 *             becomes of it up to its hand-out, cannot fail. Names are shared and counted, so that
 *             what strangers poll for is forgotten. */
#include "drivers/workers_internal.h"

enum { LATER_MS = 100, HAS_WORKER_MS = 60000 };

/* ------------------------------------------------------------------ in and out of the lock */

static void enter(pw_board *b)
{
    (void)pthread_mutex_lock(&b->lock);
}

static void leave(pw_board *b)
{
    pw_ticket *wishes = b->wishes;
    pw_poll *told = b->told;
    uint64_t first = b->heap_count ? b->heap[0]->due_ns : PW_BOARD_NEVER;
    bool sooner = first < b->announced_ns;
    if (sooner)
        b->announced_ns = first;
    b->wishes = NULL;
    b->last_wish = &b->wishes;
    b->told = NULL;
    b->last_told = &b->told;
    (void)pthread_mutex_unlock(&b->lock);
    for (pw_ticket *t = wishes, *next = NULL; t; t = next) {
        next = t->next;
        b->hooks.on_wish(b->hooks.context, t);
    }
    for (pw_poll *poll = told, *next = NULL; poll; poll = next) {
        next = poll->next;
        b->hooks.on_poll(b->hooks.context, poll);
    }
    if (sooner)
        b->hooks.on_sooner(b->hooks.context);
}

/* The owner gives it back. False: nobody wants it any more, and it is freed. */
static bool come_back(pw_board *b, pw_ticket *t)
{
    PW_ASSERT(t->with_owner);
    t->with_owner = false;
    if (!t->gone)
        return true;
    pw_board_ticket_free(b, t);
    return false;
}

/* ------------------------------------------------------------------ the owner's side */

pw_ticket *pw_ticket_new(pw_board *b, const pw_ticket_about *about)
{
    PW_ASSERT(about->instance.len == PW_INSTANCE_ID_LENGTH && about->table < PW_BOARD_TABLES);
    pw_ticket *t = pw_zalloc(sizeof *t);
    if (!t)
        return NULL;
    t->timer.kind = TIMER_TICKET;
    t->visit = about->visit;
    t->attempt = about->attempt;
    t->table = (uint8_t)about->table;
    t->since_ms = about->since_ms;
    memcpy(t->instance, about->instance.ptr, sizeof t->instance);
    enter(b);
    bool good = pw_board_timer_reserve(b);
    if (good) {
        t->level = pw_board_level_get(b, about->function, about->namespace_, about->priority);
        t->task = pw_board_name_get(b, about->task);
        if (!t->level || !t->task) {
            pw_board_ticket_free(b, t);
            good = false;
        }
    } else {
        pw_free(t);
    }
    leave(b);
    return good ? t : NULL;
}

void pw_ticket_free(pw_board *b, pw_ticket *t)
{
    if (!t)
        return;
    enter(b);
    pw_board_ticket_free(b, t);
    leave(b);
}

void pw_board_put(pw_board *b, pw_ticket *t, pw_put how, uint64_t delay_ms)
{
    enter(b);
    uint64_t now = now_of(b);
    pw_ticket *old = pw_board_find(b, instance_of(t), t->table, t->visit);
    pw_poll *poll =
        old && old->state == TICKET_TAKEN && old->wish == PW_WISH_RENEW ? old->by.poll : NULL;
    if (poll)
        poll->pending++; /* it is not settled by the removal */
    if (old)
        pw_board_remove_ticket(b, old);
    pw_board_table_add(b, t);
    t->unsure = how == PW_PUT_UNSURE;
    if (how == PW_PUT_PARKED)
        pw_board_make_parked(b, t);
    else if (how == PW_PUT_UNSURE)
        pw_board_make_later(b, t, TICKET_UNSURE, after_ms(now, delay_ms));
    else
        pw_board_make_ready(b, t, poll != NULL);
    bool renewed = poll && t->state == TICKET_READY;
    if (poll)
        poll->pending--;
    if (renewed && pw_board_may_hand_out(b, t->level->lane->function, now))
        pw_board_take(b, poll, t);
    if (poll)
        pw_board_settle(b, poll);
    pw_board_serve(b, t->level->lane->function);
    leave(b);
}

void pw_board_take_off(pw_board *b, pw_str instance, uint32_t table, uint64_t visit,
                       uint32_t attempt)
{
    enter(b);
    pw_ticket *t = pw_board_find(b, instance, table, visit);
    if (t && (attempt == 0 || t->attempt == attempt))
        pw_board_remove_ticket(b, t);
    leave(b);
}

void pw_board_drop(pw_board *b, uint64_t tables)
{
    enter(b);
    b->held = true; /* nobody is to ask for what goes next */
    for (uint32_t n = 0; n < PW_BOARD_TABLES; n++)
        for (size_t i = 0; tables >> n & 1 && i < b->tables[n].bucket_count; i++)
            while (b->tables[n].buckets[i])
                pw_board_remove_ticket(b, b->tables[n].buckets[i]);
    b->held = false;
    for (size_t i = 0; i < FUNCTION_BUCKETS; i++)
        for (function *f = b->functions[i]; f; f = f->next)
            pw_board_serve(b, f);
    leave(b);
}

static bool is_busy(const pw_ticket *t)
{
    return t->state == TICKET_TAKEN || t->state == TICKET_LEASED || t->state == TICKET_ENDING;
}

pw_there pw_board_look(pw_board *b, pw_str instance, uint32_t table, uint64_t visit,
                       uint32_t attempt)
{
    enter(b);
    const pw_ticket *t = pw_board_find(b, instance, table, visit);
    pw_there there = PW_THERE_NOT;
    if (t && t->attempt == attempt)
        there = is_busy(t) ? PW_THERE_TAKEN : t->unsure ? PW_THERE_UNSURE : PW_THERE_WAITS;
    leave(b);
    return there;
}

bool pw_board_held(pw_board *b, pw_str instance, uint32_t table, uint64_t visit, uint32_t attempt,
                   char *out, size_t size, size_t *length, uint64_t *held_ns)
{
    enter(b);
    const pw_ticket *t = pw_board_find(b, instance, table, visit);
    const bool held = t && t->attempt == attempt &&
                      (t->state == TICKET_LEASED || t->state == TICKET_ENDING) &&
                      t->by.lease->begun_ns > 0;
    if (held) {
        const pw_str name = t->level->lane->function->name->text;
        *length = name.len < size ? name.len : size;
        memcpy(out, name.ptr, *length);
        *held_ns = now_of(b) - t->by.lease->begun_ns;
    }
    leave(b);
    return held;
}

void pw_board_unpark(pw_board *b, pw_str instance, uint32_t table, uint64_t visit)
{
    enter(b);
    pw_ticket *t = pw_board_find(b, instance, table, visit);
    if (t && t->state == TICKET_PARKED) {
        pw_board_make_ready(b, t, false);
        pw_board_serve(b, t->level->lane->function);
    }
    leave(b);
}

/* A lease and what the poll gets of it; NULL: out of memory. */
static pw_given *make_given(const pw_ticket *t, const pw_poll *poll, pw_lease **lease)
{
    pw_given *given = pw_zalloc(sizeof *given);
    *lease = pw_zalloc(sizeof **lease);
    if (!given || !*lease) {
        pw_free(given);
        pw_free(*lease);
        return NULL;
    }
    **lease =
        (pw_lease){ .worker = poll->worker, .poll = poll->number, .lease_ms = poll->lease_ms };
    poll->worker->refs++;
    given->table = t->table;
    given->visit = t->visit;
    given->attempt = t->attempt;
    memcpy(given->instance, t->instance, sizeof given->instance);
    return given;
}

/* Not handed out: who waits for it gets it when it can be had. */
static void put_back(pw_board *b, pw_ticket *t, bool later)
{
    pw_poll *poll = pw_board_untake(t);
    if (later)
        pw_board_make_later(b, t, TICKET_LATER, after_ms(now_of(b), LATER_MS));
    else
        pw_board_make_ready(b, t, true);
    if (poll)
        pw_board_settle(b, poll);
    pw_board_serve(b, t->level->lane->function);
}

bool pw_board_give(pw_board *b, pw_ticket *t, char *job, size_t length, uint64_t timeout_ms)
{
    enter(b);
    pw_poll *poll = t->gone ? NULL : t->by.poll;
    bool alive = come_back(b, t);
    bool room = poll && (poll->given_count == 0 || poll->bytes + length <= PW_POLL_BYTES_MAX);
    pw_lease *lease = NULL;
    pw_given *given = room && !b->stopped ? make_given(t, poll, &lease) : NULL;
    if (given) {
        uint64_t now = now_of(b);
        lease->deadline_ns = after_ms(now, timeout_ms);
        lease->begun_ns = now;
        pw_board_make_leased(b, t, lease, after_ms(now, lease->lease_ms));
        given->job = job;
        given->length = length;
        given->lease_ns = t->timer.due_ns;
        given->deadline_ns = lease->deadline_ns;
        *poll->last_given = given;
        poll->last_given = &given->next;
        poll->given_count++;
        poll->bytes += length;
        poll->pending--;
        job = NULL;
        pw_board_settle(b, poll);
    } else if (alive) {
        if (poll && !room)
            poll->max = poll->given_count; /* full: it asks for no more */
        put_back(b, t, room);
    }
    const bool was_given = given != NULL;
    leave(b);
    pw_free(job);
    return was_given;
}

void pw_board_refuse(pw_board *b, pw_ticket *t, pw_refusal why)
{
    enter(b);
    if (come_back(b, t)) {
        bool taken = t->state == TICKET_TAKEN;
        if (why == PW_REFUSE_GONE || !taken) {
            pw_board_remove_ticket(b, t);
        } else if (why == PW_REFUSE_PARKED) {
            function *f = t->level->lane->function;
            pw_poll *poll = pw_board_untake(t);
            pw_board_make_parked(b, t);
            if (poll)
                pw_board_settle(b, poll);
            pw_board_serve(b, f);
        } else {
            put_back(b, t, true);
        }
    }
    leave(b);
}

void pw_board_done(pw_board *b, pw_ticket *t)
{
    pw_board_refuse(b, t, PW_REFUSE_GONE);
}

/* ------------------------------------------------------------------ polls from outside */

static bool make_nodes(pw_poll *poll, pw_board *b, const pw_poll_about *about)
{
    size_t lanes = about->namespaces ? about->namespace_count : 1;
    size_t count = about->function_count * lanes;
    if (count == 0)
        return true;
    poll->nodes = pw_zalloc(count * sizeof *poll->nodes);
    for (size_t i = 0; poll->nodes && i < count; i++) {
        pw_wait_node *node = &poll->nodes[i];
        pw_str name = about->functions[i / lanes];
        node->poll = poll;
        if (about->namespaces) {
            node->lane = pw_board_lane_get(b, name, about->namespaces[i % lanes]);
            node->function = node->lane ? node->lane->function : NULL;
        } else {
            node->function = pw_board_function_get(b, name);
        }
        if (!node->function)
            return false;
        poll->node_count++;
    }
    return poll->nodes != NULL;
}

static void poll_release(pw_board *b, pw_poll *poll)
{
    for (uint32_t i = 0; i < poll->node_count; i++) {
        pw_wait_node *node = &poll->nodes[i];
        if (node->lane)
            pw_board_lane_put(b, node->lane);
        else
            pw_board_function_put(b, node->function);
    }
    pw_board_name_put(b, poll->worker);
    b->timers--;
    pw_free(poll->nodes);
    poll->nodes = NULL;
    poll->node_count = 0;
}

pawl_code pw_poll_open(pw_poll *poll, pw_board *b, const pw_poll_about *about, pawl_error *err)
{
    PW_ASSERT(about->function_count <= PW_POLL_FUNCTIONS_MAX &&
              about->namespace_count <= PW_POLL_NAMESPACES_MAX && about->max > 0 &&
              about->lease_ms > 0);
    *poll = (pw_poll){ .owner = poll->owner,
                       .max = about->max,
                       .lease_ms = about->lease_ms,
                       .timer = { .kind = TIMER_POLL } };
    poll->last_given = &poll->given;
    enter(b);
    if (b->stopped) {
        leave(b);
        return pw_fail(err, PAWL_BUSY, "closing");
    }
    bool good = pw_board_timer_reserve(b);
    if (good) {
        poll->worker = pw_board_name_get(b, about->worker);
        good = poll->worker && make_nodes(poll, b, about);
        if (!good)
            poll_release(b, poll);
    }
    if (good) {
        uint64_t now = now_of(b);
        poll->number = ++b->polls;
        poll->wait_ns = after_ms(now, about->wait_ms);
        for (uint32_t i = 0; i < poll->node_count; i++)
            poll->nodes[i].function->polled_ns = now;
        pw_board_fill(b, poll, now);
        if (poll->pending == 0) { /* also one that does not wait ends on the board's thread */
            pw_board_line_up(poll, false);
            pw_board_timer_set(b, &poll->timer, poll->wait_ns);
            for (uint32_t i = 0; i < poll->node_count; i++)
                pw_board_arm(b, poll->nodes[i].function, now);
        }
    }
    leave(b);
    return good ? PAWL_OK : pw_no_memory(err);
}

/* What it was given is as if it had not been. */
static void give_back(pw_board *b, pw_poll *poll)
{
    for (pw_given *given = poll->given, *next = NULL; given; given = next) {
        next = given->next;
        pw_ticket *t = pw_board_find(b, (pw_str){ given->instance, sizeof given->instance },
                                     given->table, given->visit);
        if (t && t->attempt == given->attempt && t->state == TICKET_LEASED &&
            t->by.lease->poll == poll->number) {
            function *f = t->level->lane->function;
            pw_rate_give_back(&f->rate);
            pw_board_make_ready(b, t, true);
            pw_board_serve(b, f);
        }
        pw_free(given->job);
        pw_free(given);
    }
    poll->given = NULL;
    poll->last_given = &poll->given;
}

bool pw_poll_withdraw(pw_board *b, pw_poll *poll)
{
    enter(b);
    bool open = poll->state != POLL_OVER;
    if (open) {
        pw_board_line_leave(b, poll);
        pw_board_let_go(poll);
        pw_board_timer_stop(b, &poll->timer);
        poll->state = POLL_OVER;
        give_back(b, poll);
    }
    leave(b);
    return open;
}

void pw_poll_return(pw_board *b, pw_poll *poll)
{
    enter(b);
    give_back(b, poll);
    leave(b);
}

void pw_poll_done(pw_board *b, pw_poll *poll)
{
    enter(b);
    PW_ASSERT(poll->state == POLL_OVER);
    for (pw_given *given = poll->given, *next = NULL; given; given = next) {
        next = given->next;
        pw_free(given->job);
        pw_free(given);
    }
    poll->given = NULL;
    poll_release(b, poll);
    leave(b);
}

/* ------------------------------------------------------------------ heartbeats */

/* An attempt that somebody has whom this board does not know. */
static pw_lease *adopt(pw_board *b, uint64_t lease_ms)
{
    pw_lease *lease = pw_zalloc(sizeof *lease);
    if (!lease)
        return NULL;
    lease->lease_ms = lease_ms;
    lease->worker = pw_board_name_get(b, PW_LIT("worker"));
    if (lease->worker)
        return lease;
    pw_free(lease);
    return NULL;
}

pawl_code pw_board_beat(pw_board *b, pw_str instance, uint32_t table, uint64_t visit,
                        uint32_t attempt, const pw_beat_about *about, pw_beat *out,
                        uint64_t *left_ms, pawl_error *err)
{
    char *copy = about->progress.len ? pw_strdup(about->progress) : NULL;
    if (about->progress.len && !copy)
        return pw_no_memory(err);
    pawl_code code = PAWL_OK;
    enter(b);
    uint64_t now = now_of(b);
    pw_ticket *t = pw_board_find(b, instance, table, visit);
    bool current = t && t->attempt == attempt;
    *out = current ? PW_BEAT_GOOD : t ? PW_BEAT_OVER : PW_BEAT_UNKNOWN;
    *left_ms = 0;
    if (current && (t->state == TICKET_TAKEN || t->state == TICKET_ENDING)) {
        *out = PW_BEAT_OVER; /* it is on its way to another, or lost */
    } else if (current && t->state != TICKET_LEASED) {
        pw_lease *lease = adopt(b, about->default_lease_ms);
        if (lease) {
            lease->deadline_ns = after_ms(now, about->timeout_ms);
            pw_board_make_leased(b, t, lease, PW_BOARD_NEVER);
        } else {
            code = pw_no_memory(err);
        }
    }
    if (code == PAWL_OK && *out == PW_BEAT_GOOD) {
        pw_lease *lease = t->by.lease;
        uint64_t end = after_ms(now, about->lease_ms ? about->lease_ms : lease->lease_ms);
        pw_board_timer_set(b, &t->timer, end < lease->deadline_ns ? end : lease->deadline_ns);
        *left_ms = t->timer.due_ns > now ? (t->timer.due_ns - now) / PW_BOARD_MS : 0;
        if (copy) {
            pw_free(lease->progress);
            lease->progress = copy;
            lease->progress_length = about->progress.len;
            copy = NULL;
        }
    }
    leave(b);
    pw_free(copy);
    return code;
}

/* ------------------------------------------------------------------ limits from outside */

pawl_code pw_board_limit(pw_board *b, pw_str name, uint32_t at_once, double per_second,
                         pawl_error *err)
{
    const limit wanted = { at_once, per_second };
    const bool none = at_once == 0 && per_second <= 0;
    enter(b);
    function *f = name.len ? pw_board_function_get(b, name) : NULL;
    if (name.len && !f) {
        leave(b);
        return pw_no_memory(err);
    }
    if (f) {
        bool held = f->limited;
        f->limited = !none;
        f->limit = wanted;
        f->rate = (pw_rate){ 0 };
        pw_board_timer_stop(b, &f->timer);
        if (f->limited && !held)
            f->refs++; /* the limit's */
        pw_board_serve(b, f);
        if (!f->limited && held)
            f->refs--;
        pw_board_function_put(b, f);
    } else {
        b->common = wanted;
        for (size_t i = 0; i < FUNCTION_BUCKETS; i++)
            for (f = b->functions[i]; f; f = f->next)
                if (!f->limited) {
                    f->rate = (pw_rate){ 0 };
                    pw_board_timer_stop(b, &f->timer);
                    pw_board_serve(b, f);
                }
    }
    leave(b);
    return PAWL_OK;
}

/* ------------------------------------------------------------------ time */

static void ticket_due(pw_board *b, pw_ticket *t, uint64_t now_ns)
{
    switch ((ticket_state)t->state) {
    case TICKET_LATER:
    case TICKET_UNSURE:
        pw_board_make_ready(b, t, false);
        pw_board_serve(b, t->level->lane->function);
        return;
    case TICKET_LEASED:
        pw_board_make_ending(b, t,
                             now_ns >= t->by.lease->deadline_ns ? PW_WISH_TIMED_OUT : PW_WISH_LOST);
        return;
    case TICKET_NEW:
    case TICKET_READY:
    case TICKET_PARKED:
    case TICKET_TAKEN:
    case TICKET_ENDING:
    case TICKET_STATES:
        break;
    }
    pw_assert_failed(__FILE__, __LINE__, "a ticket without a timer is due");
}

uint64_t pw_board_work(pw_board *b)
{
    enter(b);
    uint64_t now = now_of(b);
    while (b->heap_count > 0 && b->heap[0]->due_ns <= now) {
        pw_board_timer *timer = b->heap[0]; /* the first member of what it is of */
        pw_board_timer_stop(b, timer);
        if (timer->kind == TIMER_TICKET)
            ticket_due(b, (pw_ticket *)(void *)timer, now);
        else if (timer->kind == TIMER_POLL)
            pw_board_end_poll(b, (pw_poll *)(void *)timer);
        else
            pw_board_serve(b, (function *)(void *)timer);
    }
    uint64_t next = b->heap_count ? b->heap[0]->due_ns : PW_BOARD_NEVER;
    b->announced_ns = next;
    leave(b);
    return next;
}

void pw_board_stop(pw_board *b)
{
    enter(b);
    b->stopped = true;
    for (uint32_t i = 0; i < b->heap_count;) {
        if (b->heap[i]->kind == TIMER_POLL) {
            pw_board_end_poll(b, (pw_poll *)(void *)b->heap[i]);
            i = 0; /* the heap has changed */
        } else {
            i++;
        }
    }
    leave(b);
}

/* ------------------------------------------------------------------ made and freed */

pawl_code pw_board_new(pw_board **out, const pw_board_hooks *hooks, pawl_error *err)
{
    pw_board *b = pw_zalloc(sizeof *b);
    if (!b)
        return pw_no_memory(err);
    int failed = pthread_mutex_init(&b->lock, NULL);
    if (failed) {
        pw_free(b);
        return pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory");
    }
    b->hooks = *hooks;
    b->last_wish = &b->wishes;
    b->last_told = &b->told;
    b->announced_ns = PW_BOARD_NEVER;
    for (size_t i = 0; i < PW_BOARD_TABLES; i++) {
        b->tables[i].buckets = b->tables[i].first;
        b->tables[i].bucket_count = FIRST_BUCKETS;
    }
    *out = b;
    return PAWL_OK;
}

void pw_board_free(pw_board *b)
{
    if (!b)
        return;
    b->stopped = true;
    pw_board_drop(b, UINT64_MAX);
    for (size_t i = 0; i < FUNCTION_BUCKETS; i++)
        for (function *f = b->functions[i], *next = NULL; f; f = next) {
            next = f->next;
            if (f->limited) {
                f->limited = false;
                pw_board_function_put(b, f);
            }
        }
    for (size_t i = 0; i < PW_BOARD_TABLES; i++)
        if (b->tables[i].buckets != b->tables[i].first)
            pw_free(b->tables[i].buckets);
    PW_ASSERT(b->timers == 0);
    (void)pthread_mutex_destroy(&b->lock);
    pw_free(b->heap);
    pw_free(b);
}

size_t pw_board_ticket_size(void)
{
    return sizeof(pw_ticket) + sizeof(pw_board_timer *); /* and its place in the heap */
}

bool pw_board_has_worker(pw_board *b, pw_str name)
{
    enter(b);
    const function *f = pw_board_function(b, name);
    uint64_t now = now_of(b);
    bool has = f && (f->polls > 0 || busy_of(f) > 0 ||
                     (f->polled_ns && now - f->polled_ns < HAS_WORKER_MS * PW_BOARD_MS));
    leave(b);
    return has;
}
