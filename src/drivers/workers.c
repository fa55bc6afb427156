/* workers.c - the board: see workers.h.
 *
 *              put                         a poll has room
 *     UNSURE, DELAYED --time--> READY ---------------------> TAKEN (its owner is asked) --give-->
 * LEASED
 *                                 ^<--refused, or nobody hears---' | PARKED
 * --unpark-------------'<--nobody heard of it--------------------------------------------| removed
 * <--done-- ENDING (its owner is told) <--lease, deadline
 *
 * Places      What is ready waits in its level (function, namespace, priority), first come, first
 * served. A poll waits at each function that it names or, if it names namespaces, at each lane
 * (function, namespace): so that neither has to look at what is not for it. A poll that has taken
 * something waits nowhere until its owners have answered. Lock        One, for a few lines; hooks
 * are called without it, by leave(): tickets and polls that are to be told of something are
 * collected until then. Memory      All that a ticket needs is got when it is made: putting it on
 * the board, and all that becomes of it up to its hand-out, cannot fail. Names are shared and
 * counted, so that what strangers poll for is forgotten. */
#include <stdlib.h>
#include "drivers/workers_internal.h"
#include "base/digest.h"

enum { ANSWER_MS = 5000, LATER_MS = 1000, HAS_WORKER_MS = 60000 };

#define MS 1000000ull

static uint64_t after_ms(uint64_t now_ns, uint64_t ms)
{
    return ms > (PW_BOARD_NEVER - 1 - now_ns) / MS ? PW_BOARD_NEVER - 1 : now_ns + ms * MS;
}

static uint64_t now_of(const pw_board *b)
{
    return b->hooks.now_ns(b->hooks.context);
}

/* ------------------------------------------------------------------ timers */

static void timer_place(pw_board *b, pw_board_timer *timer, uint32_t at)
{
    b->heap[at] = timer;
    timer->at = at + 1;
}

static void timer_fix(pw_board *b, uint32_t at)
{
    pw_board_timer *timer = b->heap[at];
    while (at > 0 && b->heap[(at - 1) / 2]->due_ns > timer->due_ns) {
        timer_place(b, b->heap[(at - 1) / 2], at);
        at = (at - 1) / 2;
    }
    for (uint32_t child; (child = 2 * at + 1) < b->heap_count; at = child) {
        if (child + 1 < b->heap_count && b->heap[child + 1]->due_ns < b->heap[child]->due_ns)
            child++;
        if (b->heap[child]->due_ns >= timer->due_ns)
            break;
        timer_place(b, b->heap[child], at);
    }
    timer_place(b, timer, at);
}

static void timer_stop(pw_board *b, pw_board_timer *timer)
{
    if (!timer->at)
        return;
    uint32_t at = timer->at - 1;
    pw_board_timer *last = b->heap[--b->heap_count];
    timer->at = 0;
    if (last == timer)
        return;
    timer_place(b, last, at);
    timer_fix(b, at);
}

static void timer_set(pw_board *b, pw_board_timer *timer, uint64_t due_ns)
{
    timer->due_ns = due_ns;
    if (!timer->at) {
        PW_ASSERT(b->heap_count < b->heap_size);
        timer_place(b, timer, b->heap_count++);
    }
    timer_fix(b, timer->at - 1);
}

/* Room in the heap for one more. */
static bool timer_reserve(pw_board *b)
{
    if (b->timers == b->heap_size) {
        uint32_t size = b->heap_size ? b->heap_size * 2 : 64;
        pw_board_timer **heap =
            size > b->heap_size ? pw_realloc(b->heap, size * sizeof *heap) : NULL;
        if (!heap)
            return false;
        b->heap = heap;
        b->heap_size = size;
    }
    b->timers++;
    return true;
}

/* ------------------------------------------------------------------ names, functions, lanes,
 * levels */

static pw_name *name_get(pw_board *b, pw_str text)
{
    pw_name **bucket = &b->names[pw_hash64(1, text.ptr, text.len) % NAME_BUCKETS];
    for (pw_name *name = *bucket; name; name = name->next)
        if (pw_str_eq(name->text, text)) {
            name->refs++;
            return name;
        }
    pw_name *name = pw_alloc(sizeof *name + text.len);
    if (!name)
        return NULL;
    *name = (pw_name){ .next = *bucket, .refs = 1, .text = { (char *)(name + 1), text.len } };
    if (text.len)
        memcpy(name + 1, text.ptr, text.len);
    *bucket = name;
    return name;
}

static void name_put(pw_board *b, pw_name *name)
{
    if (!name || --name->refs > 0)
        return;
    pw_name **at = &b->names[pw_hash64(1, name->text.ptr, name->text.len) % NAME_BUCKETS];
    while (*at != name)
        at = &(*at)->next;
    *at = name->next;
    pw_free(name);
}

static function **function_bucket(pw_board *b, pw_str name)
{
    return &b->functions[pw_hash64(2, name.ptr, name.len) % FUNCTION_BUCKETS];
}

function *pw_board_function(pw_board *b, pw_str name)
{
    function *f = *function_bucket(b, name);
    while (f && !pw_str_eq(f->name->text, name))
        f = f->next;
    return f;
}

static void function_put(pw_board *b, function *f)
{
    if (!f || --f->refs > 0)
        return;
    PW_ASSERT(!f->lanes && !f->line.first && !f->limited);
    function **at = function_bucket(b, f->name->text);
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    timer_stop(b, &f->timer);
    b->timers--;
    name_put(b, f->name);
    pw_free(f);
}

static function *function_get(pw_board *b, pw_str name)
{
    function *f = pw_board_function(b, name);
    if (f) {
        f->refs++;
        return f;
    }
    if (!timer_reserve(b))
        return NULL;
    f = pw_zalloc(sizeof *f);
    if (f)
        f->name = name_get(b, name);
    if (!f || !f->name) {
        b->timers--;
        pw_free(f);
        return NULL;
    }
    f->timer.kind = TIMER_FUNCTION;
    f->refs = 1;
    function **bucket = function_bucket(b, name);
    f->next = *bucket;
    *bucket = f;
    return f;
}

static void lane_put(pw_board *b, lane *l)
{
    if (!l || --l->refs > 0)
        return;
    PW_ASSERT(!l->levels && !l->line.first);
    function *f = l->function;
    lane **at = &f->lanes;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    name_put(b, l->namespace_);
    pw_free(l);
    function_put(b, f);
}

static lane *lane_get(pw_board *b, pw_str function_name, pw_str namespace_)
{
    function *f = function_get(b, function_name);
    for (lane *l = f ? f->lanes : NULL; l; l = l->next)
        if (pw_str_eq(l->namespace_->text, namespace_)) {
            function_put(b, f); /* the lane has one */
            l->refs++;
            return l;
        }
    lane *l = f ? pw_zalloc(sizeof *l) : NULL;
    if (l)
        l->namespace_ = name_get(b, namespace_);
    if (!l || !l->namespace_) {
        pw_free(l);
        function_put(b, f);
        return NULL;
    }
    l->refs = 1;
    l->function = f;
    l->next = f->lanes;
    f->lanes = l;
    return l;
}

static void level_put(pw_board *b, pw_level *level)
{
    if (!level || --level->refs > 0)
        return;
    lane *l = level->lane;
    pw_level **at = &l->levels;
    while (*at != level)
        at = &(*at)->lower;
    *at = level->lower;
    pw_free(level);
    lane_put(b, l);
}

static pw_level *level_get(pw_board *b, pw_str function_name, pw_str namespace_, int32_t priority)
{
    lane *l = lane_get(b, function_name, namespace_);
    if (!l)
        return NULL;
    pw_level **at = &l->levels;
    while (*at && (*at)->priority > priority)
        at = &(*at)->lower;
    if (*at && (*at)->priority == priority) {
        lane_put(b, l); /* the level has one */
        (*at)->refs++;
        return *at;
    }
    pw_level *level = pw_zalloc(sizeof *level);
    if (!level) {
        lane_put(b, l);
        return NULL;
    }
    *level = (pw_level){ .lower = *at, .lane = l, .priority = priority, .refs = 1 };
    *at = level;
    return level;
}

/* ------------------------------------------------------------------ lists */

#define LIST_ADD(first_, last_, item)                                                              \
    do {                                                                                           \
        (item)->before = (last_);                                                                  \
        (item)->behind = NULL;                                                                     \
        *((item)->before ? &(item)->before->behind : &(first_)) = (item);                          \
        (last_) = (item);                                                                          \
    } while (0)

#define LIST_PUSH(first_, last_, item)                                                             \
    do {                                                                                           \
        (item)->behind = (first_);                                                                 \
        (item)->before = NULL;                                                                     \
        *((item)->behind ? &(item)->behind->before : &(last_)) = (item);                           \
        (first_) = (item);                                                                         \
    } while (0)

#define LIST_REMOVE(first_, last_, item)                                                           \
    do {                                                                                           \
        *((item)->before ? &(item)->before->behind : &(first_)) = (item)->behind;                  \
        *((item)->behind ? &(item)->behind->before : &(last_)) = (item)->before;                   \
        (item)->before = (item)->behind = NULL;                                                    \
    } while (0)

/* ------------------------------------------------------------------ the tables */

uint64_t pw_board_hash(pw_str instance, uint64_t visit)
{
    return pw_hash64(visit, instance.ptr, instance.len);
}

static pw_str instance_of(const pw_ticket *t)
{
    return (pw_str){ t->instance, sizeof t->instance };
}

static pw_ticket **bucket_of(ticket_table *table, pw_str instance, uint64_t visit)
{
    return &table->buckets[pw_board_hash(instance, visit) & (table->bucket_count - 1)];
}

pw_ticket *pw_board_find(const pw_board *b, pw_str instance, uint32_t table, uint64_t visit)
{
    const ticket_table *tickets = &b->tables[table];
    if (instance.len != PW_INSTANCE_ID_LENGTH)
        return NULL;
    pw_ticket *t = tickets->buckets[pw_board_hash(instance, visit) & (tickets->bucket_count - 1)];
    while (t && (t->visit != visit || memcmp(t->instance, instance.ptr, sizeof t->instance) != 0))
        t = t->chain;
    return t;
}

/* Longer chains will do if there is no memory. */
static void table_grow(ticket_table *table)
{
    size_t count = table->bucket_count * 2;
    pw_ticket **buckets = pw_zalloc(count * sizeof *buckets);
    if (!buckets)
        return;
    for (size_t i = 0; i < table->bucket_count; i++)
        for (pw_ticket *t = table->buckets[i], *next = NULL; t; t = next) {
            next = t->chain;
            pw_ticket **bucket = &buckets[pw_board_hash(instance_of(t), t->visit) & (count - 1)];
            t->chain = *bucket;
            *bucket = t;
        }
    if (table->buckets != table->first)
        pw_free(table->buckets);
    table->buckets = buckets;
    table->bucket_count = count;
}

static void table_add(pw_board *b, pw_ticket *t)
{
    ticket_table *table = &b->tables[t->table];
    if (table->count >= table->bucket_count)
        table_grow(table);
    pw_ticket **bucket = bucket_of(table, instance_of(t), t->visit);
    t->chain = *bucket;
    *bucket = t;
    table->count++;
}

static void table_remove(pw_board *b, pw_ticket *t)
{
    ticket_table *table = &b->tables[t->table];
    pw_ticket **at = bucket_of(table, instance_of(t), t->visit);
    while (*at != t)
        at = &(*at)->chain;
    *at = t->chain;
    table->count--;
}

/* ------------------------------------------------------------------ limits */

static const limit *limit_of(const pw_board *b, const function *f)
{
    return f->limited ? &f->limit : &b->common;
}

static double burst_of(const limit *l)
{
    return l->per_second > 1 ? l->per_second : 1;
}

static void refill(function *f, const limit *l, uint64_t now_ns)
{
    double more = (double)(now_ns - f->filled_ns) / 1e9 * l->per_second;
    if (now_ns > f->filled_ns)
        f->tokens = f->tokens + more < burst_of(l) ? f->tokens + more : burst_of(l);
    f->filled_ns = now_ns;
}

static uint64_t busy_of(const function *f)
{
    return f->counts[TICKET_TAKEN] + f->counts[TICKET_LEASED] + f->counts[TICKET_ENDING];
}

/* One more may be handed out now. */
static bool may_hand_out(pw_board *b, function *f, uint64_t now_ns)
{
    const limit *l = limit_of(b, f);
    if (b->stopped || (l->at_once && busy_of(f) >= l->at_once))
        return false;
    if (l->per_second <= 0)
        return true;
    refill(f, l, now_ns);
    return f->tokens >= 1;
}

/* Somebody waits only for time to pass. */
static void arm(pw_board *b, function *f, uint64_t now_ns)
{
    const limit *l = limit_of(b, f);
    if (l->per_second <= 0 || f->tokens >= 1 || f->timer.at || f->counts[TICKET_READY] == 0)
        return;
    double wait_ns = (1 - f->tokens) / l->per_second * 1e9 + 1;
    timer_set(b, &f->timer, wait_ns < 1e18 ? now_ns + (uint64_t)wait_ns : PW_BOARD_NEVER - 1);
}

/* ------------------------------------------------------------------ tickets move */

static void wish(pw_board *b, pw_ticket *t, pw_wish what)
{
    PW_ASSERT(!t->with_owner);
    t->wish = (uint8_t)what;
    t->with_owner = true;
    t->next = NULL;
    *b->last_wish = t;
    b->last_wish = &t->next;
}

static void lease_free(pw_board *b, pw_lease *lease)
{
    name_put(b, lease->worker);
    pw_free(lease->progress);
    pw_free(lease);
}

/* Out of the place that its state gives it. */
static void leave_state(pw_board *b, pw_ticket *t)
{
    function *f = t->level->lane->function;
    pw_ticket *unused = NULL;
    if (t->state != TICKET_NEW)
        f->counts[t->state]--;
    timer_stop(b, &t->timer);
    if (t->state == TICKET_READY)
        LIST_REMOVE(t->level->first, t->level->last, t);
    if (t->state == TICKET_TAKEN && t->by.poll)
        LIST_REMOVE(t->by.poll->taken, unused, t);
    if (t->state == TICKET_LEASED || t->state == TICKET_ENDING)
        lease_free(b, t->by.lease);
    t->by.poll = NULL;
    t->state = TICKET_NEW;
}

static void enter_state(pw_ticket *t, ticket_state state)
{
    t->level->lane->function->counts[state]++;
    t->state = (uint8_t)state;
}

static void make_ready(pw_board *b, pw_ticket *t, bool first)
{
    leave_state(b, t);
    enter_state(t, TICKET_READY);
    if (first)
        LIST_PUSH(t->level->first, t->level->last, t);
    else
        LIST_ADD(t->level->first, t->level->last, t);
}

static void make_later(pw_board *b, pw_ticket *t, ticket_state state, uint64_t due_ns)
{
    leave_state(b, t);
    enter_state(t, state);
    timer_set(b, &t->timer, due_ns);
}

static void make_parked(pw_board *b, pw_ticket *t)
{
    leave_state(b, t);
    enter_state(t, TICKET_PARKED);
}

static void make_ending(pw_board *b, pw_ticket *t, pw_wish what)
{
    pw_lease *lease = t->by.lease;
    function *f = t->level->lane->function;
    f->counts[TICKET_LEASED]--;
    timer_stop(b, &t->timer);
    enter_state(t, TICKET_ENDING);
    t->by.lease = lease;
    wish(b, t, what);
}

static void make_leased(pw_board *b, pw_ticket *t, pw_lease *lease, uint64_t end_ns)
{
    leave_state(b, t);
    enter_state(t, TICKET_LEASED);
    t->by.lease = lease;
    t->unsure = false;
    timer_set(b, &t->timer, end_ns < lease->deadline_ns ? end_ns : lease->deadline_ns);
}

static void ticket_free(pw_board *b, pw_ticket *t)
{
    if (t->level)
        level_put(b, t->level);
    name_put(b, t->task);
    b->timers--;
    pw_free(t);
}

/* ------------------------------------------------------------------ polls */

static void line_up(pw_poll *poll, bool first)
{
    for (uint32_t i = 0; i < poll->node_count; i++) {
        pw_wait_node *node = &poll->nodes[i];
        wait_line *line = node->lane ? &node->lane->line : &node->function->line;
        PW_ASSERT(!node->queued);
        node->queued = true;
        node->function->polls++;
        if (first)
            LIST_PUSH(line->first, line->last, node);
        else
            LIST_ADD(line->first, line->last, node);
    }
    poll->state = POLL_WAITING;
}

static void line_leave(pw_board *b, pw_poll *poll)
{
    uint64_t now = now_of(b);
    for (uint32_t i = 0; i < poll->node_count; i++) {
        pw_wait_node *node = &poll->nodes[i];
        wait_line *line = node->lane ? &node->lane->line : &node->function->line;
        if (!node->queued)
            continue;
        node->queued = false;
        node->function->polls--;
        node->function->polled_ns = now;
        LIST_REMOVE(line->first, line->last, node);
    }
}

/* The owners that were asked for it find that it has gone. */
static void let_go(pw_poll *poll)
{
    for (pw_ticket *t = poll->taken, *next = NULL; t; t = next) {
        next = t->behind;
        t->before = t->behind = NULL;
        t->by.poll = NULL;
    }
    poll->taken = NULL;
    poll->pending = 0;
}

static void end_poll(pw_board *b, pw_poll *poll)
{
    line_leave(b, poll);
    let_go(poll);
    timer_stop(b, &poll->timer);
    poll->state = POLL_OVER;
    poll->stopped = b->stopped;
    poll->next = NULL;
    *b->last_told = poll;
    b->last_told = &poll->next;
}

/* ------------------------------------------------------------------ who gets what */

static pw_ticket *first_of(const lane *l)
{
    const pw_level *level = l->levels;
    while (level && !level->first)
        level = level->lower;
    return level ? level->first : NULL;
}

static bool goes_first(const pw_ticket *a, const pw_ticket *b)
{
    return a->level->priority != b->level->priority ? a->level->priority > b->level->priority
                                                    : a->since_ms < b->since_ms;
}

static pw_ticket *best_for(pw_board *b, const pw_poll *poll, uint64_t now_ns)
{
    pw_ticket *best = NULL;
    for (uint32_t i = 0; i < poll->node_count; i++) {
        const pw_wait_node *node = &poll->nodes[i];
        if (node->function->counts[TICKET_READY] == 0 || !may_hand_out(b, node->function, now_ns))
            continue;
        for (const lane *l = node->lane ? node->lane : node->function->lanes; l; l = l->next) {
            pw_ticket *t = first_of(l);
            if (t && (!best || goes_first(t, best)))
                best = t;
            if (node->lane)
                break;
        }
    }
    return best;
}

static void take(pw_board *b, pw_poll *poll, pw_ticket *t)
{
    function *f = t->level->lane->function;
    pw_ticket *unused = NULL;
    leave_state(b, t);
    enter_state(t, TICKET_TAKEN);
    t->by.poll = poll;
    LIST_PUSH(poll->taken, unused, t);
    poll->pending++;
    if (limit_of(b, f)->per_second > 0)
        f->tokens -= 1;
    wish(b, t, t->unsure ? PW_WISH_RENEW : PW_WISH_GIVE);
}

/* As many as there are for it. */
static void fill(pw_board *b, pw_poll *poll, uint64_t now_ns)
{
    while (poll->pending + poll->given_count < poll->max) {
        pw_ticket *best = best_for(b, poll, now_ns);
        if (!best)
            break;
        take(b, poll, best);
    }
    if (poll->pending == 0)
        return;
    line_leave(b, poll);
    poll->state = POLL_FILLING;
    uint64_t answer_ns = after_ms(now_ns, ANSWER_MS); /* it should come in a few milliseconds */
    timer_set(b, &poll->timer, poll->wait_ns > answer_ns ? poll->wait_ns : answer_ns);
}

/* Nothing that it has asked for is outstanding. */
static void settle(pw_board *b, pw_poll *poll)
{
    if (poll->pending > 0 || poll->state == POLL_OVER)
        return;
    uint64_t now = now_of(b);
    if (poll->given_count == 0 && now < poll->wait_ns)
        fill(b, poll, now);
    if (poll->pending > 0)
        return;
    if (poll->given_count > 0 || now >= poll->wait_ns || b->stopped) {
        end_poll(b, poll);
        return;
    }
    line_up(poll, true);
    timer_set(b, &poll->timer, poll->wait_ns);
    for (uint32_t i = 0; i < poll->node_count; i++)
        arm(b, poll->nodes[i].function, now);
}

static pw_poll *older_of(const wait_line *a, const wait_line *b)
{
    if (!a->first || !b->first)
        return a->first ? a->first->poll : b->first ? b->first->poll : NULL;
    return a->first->poll->number < b->first->poll->number ? a->first->poll : b->first->poll;
}

/* Something became ready, or may be handed out again. */
static void serve(pw_board *b, function *f)
{
    uint64_t now = now_of(b);
    while (f->counts[TICKET_READY] > 0 && may_hand_out(b, f, now)) {
        pw_poll *oldest = NULL;
        for (const lane *l = f->lanes; l; l = l->next) {
            pw_poll *poll = first_of(l) ? older_of(&f->line, &l->line) : NULL;
            if (poll && (!oldest || poll->number < oldest->number))
                oldest = poll;
        }
        if (!oldest)
            return;
        fill(b, oldest, now);
        PW_ASSERT(oldest->pending > 0);
    }
    if (f->polls > 0)
        arm(b, f, now);
}

/* It does not go to the poll that has asked for it, which is to be settled. */
static pw_poll *untake(pw_board *b, pw_ticket *t)
{
    pw_poll *poll = t->by.poll;
    function *f = t->level->lane->function;
    if (limit_of(b, f)->per_second > 0)
        f->tokens += 1;
    if (poll)
        poll->pending--;
    return poll;
}

/* Off the board. */
static void remove_ticket(pw_board *b, pw_ticket *t)
{
    function *f = t->level->lane->function;
    pw_poll *poll = t->state == TICKET_TAKEN ? untake(b, t) : NULL;
    f->refs++; /* it is looked at below */
    leave_state(b, t);
    table_remove(b, t);
    level_put(b, t->level);
    t->level = NULL;
    if (t->with_owner)
        t->gone = true;
    else
        ticket_free(b, t);
    if (poll)
        settle(b, poll);
    serve(b, f);
    function_put(b, f);
}

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
    ticket_free(b, t);
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
    bool good = timer_reserve(b);
    if (good) {
        t->level = level_get(b, about->function, about->namespace_, about->priority);
        t->task = name_get(b, about->task);
        if (!t->level || !t->task) {
            ticket_free(b, t);
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
    ticket_free(b, t);
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
        remove_ticket(b, old);
    table_add(b, t);
    t->unsure = how == PW_PUT_UNSURE;
    if (how == PW_PUT_PARKED)
        make_parked(b, t);
    else if (how == PW_PUT_UNSURE)
        make_later(b, t, TICKET_UNSURE, after_ms(now, delay_ms));
    else if (delay_ms)
        make_later(b, t, TICKET_DELAYED, after_ms(now, delay_ms));
    else
        make_ready(b, t, poll != NULL);
    bool renewed = poll && t->state == TICKET_READY;
    if (poll)
        poll->pending--;
    if (renewed && may_hand_out(b, t->level->lane->function, now))
        take(b, poll, t);
    if (poll)
        settle(b, poll);
    serve(b, t->level->lane->function);
    leave(b);
}

void pw_board_take_off(pw_board *b, pw_str instance, uint32_t table, uint64_t visit,
                       uint32_t attempt)
{
    enter(b);
    pw_ticket *t = pw_board_find(b, instance, table, visit);
    if (t && (attempt == 0 || t->attempt == attempt))
        remove_ticket(b, t);
    leave(b);
}

void pw_board_drop(pw_board *b, uint64_t tables)
{
    enter(b);
    for (uint32_t n = 0; n < PW_BOARD_TABLES; n++)
        for (size_t i = 0; tables >> n & 1 && i < b->tables[n].bucket_count; i++)
            while (b->tables[n].buckets[i])
                remove_ticket(b, b->tables[n].buckets[i]);
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

void pw_board_unpark(pw_board *b, pw_str instance, uint32_t table, uint64_t visit)
{
    enter(b);
    pw_ticket *t = pw_board_find(b, instance, table, visit);
    if (t && t->state == TICKET_PARKED) {
        make_ready(b, t, false);
        serve(b, t->level->lane->function);
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
    pw_poll *poll = untake(b, t);
    if (later)
        make_later(b, t, TICKET_DELAYED, after_ms(now_of(b), LATER_MS));
    else
        make_ready(b, t, true);
    if (poll)
        settle(b, poll);
    serve(b, t->level->lane->function);
}

void pw_board_give(pw_board *b, pw_ticket *t, char *job, size_t length, uint64_t timeout_ms)
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
        make_leased(b, t, lease, after_ms(now, lease->lease_ms));
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
        settle(b, poll);
    } else if (alive) {
        if (poll && !room)
            poll->max = poll->given_count; /* full: it asks for no more */
        put_back(b, t, room);
    }
    leave(b);
    pw_free(job);
}

void pw_board_refuse(pw_board *b, pw_ticket *t, pw_refusal why)
{
    enter(b);
    if (come_back(b, t)) {
        bool taken = t->state == TICKET_TAKEN;
        if (why == PW_REFUSE_GONE || !taken) {
            remove_ticket(b, t);
        } else if (why == PW_REFUSE_PARKED) {
            function *f = t->level->lane->function;
            pw_poll *poll = untake(b, t);
            make_parked(b, t);
            if (poll)
                settle(b, poll);
            serve(b, f);
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
            node->lane = lane_get(b, name, about->namespaces[i % lanes]);
            node->function = node->lane ? node->lane->function : NULL;
        } else {
            node->function = function_get(b, name);
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
            lane_put(b, node->lane);
        else
            function_put(b, node->function);
    }
    name_put(b, poll->worker);
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
    bool good = timer_reserve(b);
    if (good) {
        poll->worker = name_get(b, about->worker);
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
        fill(b, poll, now);
        if (poll->pending == 0) { /* also one that does not wait ends on the board's thread */
            line_up(poll, false);
            timer_set(b, &poll->timer, poll->wait_ns);
            for (uint32_t i = 0; i < poll->node_count; i++)
                arm(b, poll->nodes[i].function, now);
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
            if (limit_of(b, f)->per_second > 0)
                f->tokens += 1;
            make_ready(b, t, true);
            serve(b, f);
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
        line_leave(b, poll);
        let_go(poll);
        timer_stop(b, &poll->timer);
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
    lease->worker = name_get(b, PW_LIT("worker"));
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
            make_leased(b, t, lease, PW_BOARD_NEVER);
        } else {
            code = pw_no_memory(err);
        }
    }
    if (code == PAWL_OK && *out == PW_BEAT_GOOD) {
        pw_lease *lease = t->by.lease;
        uint64_t end = after_ms(now, about->lease_ms ? about->lease_ms : lease->lease_ms);
        timer_set(b, &t->timer, end < lease->deadline_ns ? end : lease->deadline_ns);
        *left_ms = t->timer.due_ns > now ? (t->timer.due_ns - now) / MS : 0;
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
    function *f = name.len ? function_get(b, name) : NULL;
    if (name.len && !f) {
        leave(b);
        return pw_no_memory(err);
    }
    if (f) {
        bool held = f->limited;
        f->limited = !none;
        f->limit = wanted;
        f->tokens = burst_of(&wanted);
        f->filled_ns = now_of(b);
        timer_stop(b, &f->timer);
        if (f->limited && !held)
            f->refs++; /* the limit's */
        serve(b, f);
        if (!f->limited && held)
            f->refs--;
        function_put(b, f);
    } else {
        b->common = wanted;
        for (size_t i = 0; i < FUNCTION_BUCKETS; i++)
            for (f = b->functions[i]; f; f = f->next)
                if (!f->limited) {
                    f->tokens = burst_of(&wanted);
                    f->filled_ns = now_of(b);
                    timer_stop(b, &f->timer);
                    serve(b, f);
                }
    }
    leave(b);
    return PAWL_OK;
}

/* ------------------------------------------------------------------ time */

static void ticket_due(pw_board *b, pw_ticket *t, uint64_t now_ns)
{
    switch ((ticket_state)t->state) {
    case TICKET_DELAYED:
    case TICKET_UNSURE:
        make_ready(b, t, false);
        serve(b, t->level->lane->function);
        return;
    case TICKET_LEASED:
        make_ending(b, t, now_ns >= t->by.lease->deadline_ns ? PW_WISH_TIMED_OUT : PW_WISH_LOST);
        return;
    case TICKET_NEW:
    case TICKET_READY:
    case TICKET_PARKED:
    case TICKET_TAKEN:
    case TICKET_ENDING:
    case TICKET_STATES:
        break;
    }
    PW_ASSERT(!"a ticket without a timer is due");
}

uint64_t pw_board_work(pw_board *b)
{
    enter(b);
    uint64_t now = now_of(b);
    while (b->heap_count > 0 && b->heap[0]->due_ns <= now) {
        pw_board_timer *timer = b->heap[0]; /* the first member of what it is of */
        timer_stop(b, timer);
        if (timer->kind == TIMER_TICKET)
            ticket_due(b, (pw_ticket *)(void *)timer, now);
        else if (timer->kind == TIMER_POLL)
            end_poll(b, (pw_poll *)(void *)timer);
        else
            serve(b, (function *)(void *)timer);
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
            end_poll(b, (pw_poll *)(void *)b->heap[i]);
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
                function_put(b, f);
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
                     (f->polled_ns && now - f->polled_ns < HAS_WORKER_MS * MS));
    leave(b);
    return has;
}
