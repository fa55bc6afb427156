/* workers_match.c - who gets what, and when: limits, the states of tickets, and polls in their
 * lines. */
#include "drivers/workers_internal.h"

enum { ANSWER_MS = 5000 }; /* of an owner, which should take a few milliseconds */

/* ------------------------------------------------------------------ limits */

/* One more may be handed out now. */
bool pw_board_may_hand_out(pw_board *b, function *f, uint64_t now_ns)
{
    const limit *l = limit_of(b, f);
    if (b->stopped || b->held || (l->at_once && busy_of(f) >= l->at_once))
        return false;
    return pw_rate_next(&f->rate, l->per_second, ms_of(now_ns)) <= ms_of(now_ns);
}

/* Somebody waits only for time to pass. */
void pw_board_arm(pw_board *b, function *f, uint64_t now_ns)
{
    if (f->timer.at || f->counts[TICKET_READY] == 0)
        return;
    int64_t next_ms = pw_rate_next(&f->rate, limit_of(b, f)->per_second, ms_of(now_ns));
    if (next_ms > ms_of(now_ns))
        pw_board_timer_set(b, &f->timer, after_ms(0, (uint64_t)next_ms));
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
    pw_board_name_put(b, lease->worker);
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
    pw_board_timer_stop(b, &t->timer);
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

void pw_board_make_ready(pw_board *b, pw_ticket *t, bool first)
{
    leave_state(b, t);
    enter_state(t, TICKET_READY);
    if (first)
        LIST_PUSH(t->level->first, t->level->last, t);
    else
        LIST_ADD(t->level->first, t->level->last, t);
}

void pw_board_make_later(pw_board *b, pw_ticket *t, ticket_state state, uint64_t due_ns)
{
    leave_state(b, t);
    enter_state(t, state);
    pw_board_timer_set(b, &t->timer, due_ns);
}

void pw_board_make_parked(pw_board *b, pw_ticket *t)
{
    leave_state(b, t);
    enter_state(t, TICKET_PARKED);
}

void pw_board_make_ending(pw_board *b, pw_ticket *t, pw_wish what)
{
    pw_lease *lease = t->by.lease;
    function *f = t->level->lane->function;
    f->counts[TICKET_LEASED]--;
    pw_board_timer_stop(b, &t->timer);
    enter_state(t, TICKET_ENDING);
    t->by.lease = lease;
    wish(b, t, what);
}

void pw_board_make_leased(pw_board *b, pw_ticket *t, pw_lease *lease, uint64_t end_ns)
{
    leave_state(b, t);
    enter_state(t, TICKET_LEASED);
    t->by.lease = lease;
    t->unsure = false;
    pw_board_timer_set(b, &t->timer, end_ns < lease->deadline_ns ? end_ns : lease->deadline_ns);
}

void pw_board_ticket_free(pw_board *b, pw_ticket *t)
{
    if (t->level)
        pw_board_level_put(b, t->level);
    pw_board_name_put(b, t->task);
    b->timers--;
    pw_free(t);
}

/* ------------------------------------------------------------------ polls */

void pw_board_line_up(pw_poll *poll, bool first)
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

void pw_board_line_leave(pw_board *b, pw_poll *poll)
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
void pw_board_let_go(pw_poll *poll)
{
    for (pw_ticket *t = poll->taken, *next = NULL; t; t = next) {
        next = t->behind;
        t->before = t->behind = NULL;
        t->by.poll = NULL;
    }
    poll->taken = NULL;
    poll->pending = 0;
}

void pw_board_end_poll(pw_board *b, pw_poll *poll)
{
    pw_board_line_leave(b, poll);
    pw_board_let_go(poll);
    pw_board_timer_stop(b, &poll->timer);
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
        if (node->function->counts[TICKET_READY] == 0 ||
            !pw_board_may_hand_out(b, node->function, now_ns))
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

void pw_board_take(pw_board *b, pw_poll *poll, pw_ticket *t)
{
    function *f = t->level->lane->function;
    pw_ticket *unused = NULL;
    leave_state(b, t);
    enter_state(t, TICKET_TAKEN);
    t->by.poll = poll;
    LIST_PUSH(poll->taken, unused, t);
    poll->pending++;
    int64_t unused_ms; /* it was asked for before */
    (void)pw_rate_take(&f->rate, limit_of(b, f)->per_second, ms_of(now_of(b)), &unused_ms);
    wish(b, t, t->unsure ? PW_WISH_RENEW : PW_WISH_GIVE);
}

/* As many as there are for it. */
void pw_board_fill(pw_board *b, pw_poll *poll, uint64_t now_ns)
{
    while (poll->pending + poll->given_count < poll->max) {
        pw_ticket *best = best_for(b, poll, now_ns);
        if (!best)
            break;
        pw_board_take(b, poll, best);
    }
    if (poll->pending == 0)
        return;
    pw_board_line_leave(b, poll);
    poll->state = POLL_FILLING;
    uint64_t answer_ns = after_ms(now_ns, ANSWER_MS);
    pw_board_timer_set(b, &poll->timer, poll->wait_ns > answer_ns ? poll->wait_ns : answer_ns);
}

/* Nothing that it has asked for is outstanding. */
void pw_board_settle(pw_board *b, pw_poll *poll)
{
    if (poll->pending > 0 || poll->state == POLL_OVER)
        return;
    uint64_t now = now_of(b);
    if (poll->given_count == 0 && now < poll->wait_ns)
        pw_board_fill(b, poll, now);
    if (poll->pending > 0)
        return;
    if (poll->given_count > 0 || now >= poll->wait_ns || b->stopped) {
        pw_board_end_poll(b, poll);
        return;
    }
    pw_board_line_up(poll, true);
    pw_board_timer_set(b, &poll->timer, poll->wait_ns);
    for (uint32_t i = 0; i < poll->node_count; i++)
        pw_board_arm(b, poll->nodes[i].function, now);
}

static pw_poll *older_of(const wait_line *a, const wait_line *b)
{
    if (!a->first || !b->first)
        return a->first ? a->first->poll : b->first ? b->first->poll : NULL;
    return a->first->poll->number < b->first->poll->number ? a->first->poll : b->first->poll;
}

/* Something became ready, or may be handed out again. */
void pw_board_serve(pw_board *b, function *f)
{
    uint64_t now = now_of(b);
    while (f->counts[TICKET_READY] > 0 && pw_board_may_hand_out(b, f, now)) {
        pw_poll *oldest = NULL;
        for (const lane *l = f->lanes; l; l = l->next) {
            pw_poll *poll = first_of(l) ? older_of(&f->line, &l->line) : NULL;
            if (poll && (!oldest || poll->number < oldest->number))
                oldest = poll;
        }
        if (!oldest)
            return;
        pw_board_fill(b, oldest, now);
        PW_ASSERT(oldest->pending > 0);
    }
    if (f->polls > 0)
        pw_board_arm(b, f, now);
}

/* It does not go to the poll that has asked for it, which is to be settled. */
pw_poll *pw_board_untake(pw_ticket *t)
{
    pw_poll *poll = t->by.poll;
    pw_rate_give_back(&t->level->lane->function->rate);
    if (poll)
        poll->pending--;
    return poll;
}

/* Off the board. */
void pw_board_remove_ticket(pw_board *b, pw_ticket *t)
{
    function *f = t->level->lane->function;
    pw_poll *poll = t->state == TICKET_TAKEN ? pw_board_untake(t) : NULL;
    f->refs++; /* it is looked at below */
    leave_state(b, t);
    pw_board_table_remove(b, t);
    pw_board_level_put(b, t->level);
    t->level = NULL;
    if (t->with_owner)
        t->gone = true;
    else
        pw_board_ticket_free(b, t);
    if (poll)
        pw_board_settle(b, poll);
    pw_board_serve(b, f);
    pw_board_function_put(b, f);
}
