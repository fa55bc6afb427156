/* ledger.c - what was committed, step by step, kept apart from the store and checked at once.
 *
 * The store's wrapper tells of each step the moment it is committed, whoever hears of it; the
 * drivers tell of each request and attempt that reaches the outside. So a promise that is broken is
 * found where it is broken, with the history that led there. Attempts and incidents: ledger_faults.c. */
#include <stdio.h>
#include <stdlib.h>
#include "ledger.h"
#include "base/json.h"

enum { ALIASES_MAX = 4096, CALLS_MAX = 65536 };

static account accounts[ALIASES_MAX];
static uint32_t account_count;

static struct intent {
    char key[PW_ID_SIZE];
    uint32_t alias;
    char *task;
    char *request;
} intents[CALLS_MAX];
static uint32_t intent_count;

/* ------------------------------------------------------------------ finding */

uint32_t sim_alias(pw_str id)
{
    for (uint32_t i = 0; i < account_count; i++)
        if (id.len == PW_ID_SIZE - 1 && memcmp(accounts[i].id, id.ptr, id.len) == 0)
            return i + 1;
    PW_ASSERT(id.len == PW_ID_SIZE - 1 && account_count < ALIASES_MAX);
    memcpy(accounts[account_count].id, id.ptr, id.len);
    return ++account_count;
}

pw_str sim_alias_id(uint32_t alias)
{
    return (pw_str){ accounts[alias - 1].id, PW_ID_SIZE - 1 };
}

account *sim_account(uint32_t alias)
{
    return &accounts[alias - 1];
}

bool sim_has_ended(const sim_entry *entry)
{
    return pw_status_ended(entry->status) && !entry->incident;
}

bool sim_ledger_is_parked(pw_str instance)
{
    return accounts[sim_alias(instance) - 1].entry.incident;
}

uint32_t sim_ledger_count(void)
{
    return account_count;
}

sim_entry sim_ledger_of(uint32_t alias)
{
    return accounts[alias - 1].entry;
}

uint64_t sim_ledger_step(uint32_t alias, uint64_t sequence)
{
    const account *a = &accounts[alias - 1];
    return sequence < a->step_room ? a->steps[sequence].digest : 0;
}

static void *grown(void *old, uint64_t *room, uint64_t at, size_t size)
{
    if (at < *room)
        return old;
    uint64_t more = *room ? *room : 16;
    while (more <= at)
        more *= 2;
    char *fresh = sim_alloc(more * size);
    if (old)
        memcpy(fresh, old, *room * size);
    free(old);
    *room = more;
    return fresh;
}

visit *sim_visit_of(account *a, uint64_t number)
{
    PW_ASSERT(number < 1000000);
    a->visits = grown(a->visits, &a->visit_room, number, sizeof *a->visits);
    return &a->visits[number];
}

static struct intent *intent_of(pw_str key)
{
    for (uint32_t i = 0; i < intent_count; i++)
        if (pw_str_is(key, intents[i].key))
            return &intents[i];
    return NULL;
}

pw_str sim_ledger_task_of(pw_str key)
{
    const struct intent *intent = intent_of(key);
    return pw_str_of(intent ? intent->task : "");
}

const char *sim_ledger_task(uint32_t alias, uint64_t at)
{
    const account *a = &accounts[alias - 1];
    for (uint64_t i = 0; i < a->visit_room; i++)
        if (a->visits[(at + i) % a->visit_room].task)
            return a->visits[(at + i) % a->visit_room].task;
    return NULL;
}

void sim_ledger_fed(uint32_t alias)
{
    accounts[alias - 1].fed = true;
}

uint64_t sim_ledger_visits(uint32_t alias)
{
    return accounts[alias - 1].visit_room;
}

/* ------------------------------------------------------------------ entries of the log */

#define IS(type, name) pw_str_is(type, name)

static void on_visit(account *a, uint32_t alias, pw_str type, uint64_t number)
{
    visit *v = sim_visit_of(a, number);
    /* what had faulted was cancelled later, or got its output from a person */
    bool mended = v->faulted && (IS(type, "task.cancelled") || IS(type, "task.skipped") || IS(type, "task.completed"));
    if (v->ended && !mended)
        sim_violation("i%u seq %llu: '" PW_FMT "' of visit %llu, which had ended", alias,
                      (unsigned long long)a->entry.sequence, PW_ARG(type),
                      (unsigned long long)number);
    v->begun = true;
    v->done = v->done || IS(type, "task.completed");
    if (IS(type, "task.completed") || IS(type, "task.faulted") || IS(type, "task.cancelled") ||
        IS(type, "task.skipped"))
        v->ended = true;
    v->faulted = IS(type, "task.faulted");
    if (IS(type, "bookmark.consumed")) {
        if (v->consumed)
            sim_violation("i%u: the bookmark of visit %llu is consumed twice", alias,
                          (unsigned long long)number);
        v->consumed = true;
        v->ended = v->ended || sim_mends(v->task ? pw_str_of(v->task) : (pw_str){ "", 0 });
    }
}

/* A worker's answer is taken: of the attempt that is wanted, and the first. */
static void on_answer(account *a, uint32_t alias, pw_value entry, uint64_t number)
{
    visit *v = sim_visit_of(a, number);
    int64_t attempt = 0;
    if (!pw_integer(pw_get_lit(entry, "attempt"), &attempt) || attempt < 1 || attempt > 63 ||
        (uint64_t)attempt != v->lost + 1ull || v->answered >> attempt & 1)
        sim_violation("i%u: an answer to attempt %lld of visit %llu is taken", alias,
                      (long long)attempt, (unsigned long long)number);
    v->answered |= 1ull << attempt;
}

static void on_entry(account *a, uint32_t alias, pw_value entry, bool ended, const pw_commit_item *item)
{
    pw_str type = pw_get_text(entry, "type");
    int64_t number = 0;
    bool of_task =
        pw_get_text(entry, "task").len && pw_integer(pw_get_lit(entry, "visit"), &number);
    bool mended =
        a->entry.status == PW_CANCELLED && IS(type, "instance.cancelled"); /* a faulted one */
    bool again = item->event == PW_EVENT_COMPENSATE || item->event == PW_EVENT_REWIND;
    if (ended && !mended && !again && !IS(type, "call.late") && !IS(type, "activity.late") &&
        !IS(type, "command.without-effect") && !IS(type, "task.cancelled") &&
        !IS(type, "child.late"))
        sim_violation("i%u seq %llu: '" PW_FMT "' after the end", alias,
                      (unsigned long long)a->entry.sequence, PW_ARG(type));
    if (IS(type, "instance.started") && a->entry.sequence != 1)
        sim_violation("i%u: started again by step %llu", alias,
                      (unsigned long long)a->entry.sequence);
    if (IS(type, "instance.suspended"))
        a->entry.suspended++;
    bool tells = pw_str_starts(type, PW_LIT("instance.")) || pw_str_starts(type, PW_LIT("compensation."));
    if (of_task && number > 0 && !tells)
        on_visit(a, alias, type, (uint64_t)number);
    if (of_task && number > 0 && !sim_visit_of(a, (uint64_t)number)->task)
        sim_visit_of(a, (uint64_t)number)->task = sim_copy(pw_get_text(entry, "task"));
    sim_undo_entry(a, alias, type, entry);
    sim_faults_entry(a, alias, type, entry, of_task && number > 0 ? sim_visit_of(a, (uint64_t)number) : NULL, item);
    if (of_task && IS(type, "job.answered"))
        on_answer(a, alias, entry, (uint64_t)number);
    if (of_task && pw_get_text(entry, "function").len && IS(type, "task.started"))
        sim_visit_of(a, (uint64_t)number)->works = true;
}

/* "started 1, cancelled 3": what the entries say, in short. */
static void note_entries(uint32_t alias, pw_value entries)
{
    char line[400];
    size_t at = 0;
    for (uint32_t i = 0; i < entries.count && at < sizeof line - 60; i++) {
        pw_value entry = pw_item(entries, i);
        pw_str type = pw_get_text(entry, "type");
        int64_t number = 0;
        (void)pw_integer(pw_get_lit(entry, "visit"), &number);
        if (pw_str_starts(type, PW_LIT("task.")))
            type = (pw_str){ type.ptr + 5, type.len - 5 };
        at += (size_t)snprintf(line + at, sizeof line - at, "%s%.*s %lld", i ? ", " : "",
                               (int)(type.len > 40 ? 40 : type.len), type.ptr, (long long)number);
    }
    line[at] = '\0';
    sim_note("  i%u: %s", alias, line);
}

static void on_entries(account *a, uint32_t alias, const pw_commit_item *item, bool ended)
{
    pw_str text = item->transition->entries.len ? item->transition->entries : PW_LIT("[]");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value entries;
    pawl_error err;
    if (pw_json_parse(&entries, text, NULL, &arena, &err) != PAWL_OK || !pw_is(entries, PW_ARRAY))
        sim_violation("i%u: the entries of a step are no JSON: %s", alias, err.message);
    note_entries(alias, entries);
    for (uint32_t i = 0; i < entries.count; i++)
        on_entry(a, alias, pw_item(entries, i), ended, item);
    pw_arena_done(&arena);
}

/* ------------------------------------------------------------------ a step is committed */

static void on_intents(const pw_transition *t, uint32_t alias)
{
    for (size_t i = 0; i < t->call_count; i++) {
        const pw_call_intent *intent = &t->calls[i];
        struct intent *known = intent_of(intent->key);
        if (intent->again && !known)
            sim_violation("i%u: the key " PW_FMT " is committed again, and never was before", alias,
                          PW_ARG(intent->key));
        if (known && (known->alias != alias || (!intent->again && !pw_str_is(intent->request, known->request))))
            sim_violation("i%u: the key " PW_FMT " is committed with two requests", alias,
                          PW_ARG(intent->key));
        if (known)
            continue;
        PW_ASSERT(intent_count < CALLS_MAX && intent->key.len == PW_ID_SIZE - 1);
        known = &intents[intent_count++];
        memcpy(known->key, intent->key.ptr, intent->key.len);
        known->alias = alias;
        known->request = sim_copy(intent->request);
        known->task = sim_copy(intent->task);
    }
}

/* ------------------------------------------------------------------ parents and children */

static account *child_of(const pw_inbox_message *m, uint32_t parent)
{
    account *child = &accounts[sim_alias(m->target) - 1];
    if (child->parent != parent)
        sim_violation("i%u: writes '" PW_FMT "' for i%u, which is not its child", parent,
                      PW_ARG(m->kind), sim_alias(m->target));
    return child;
}

static void on_start_row(const pw_inbox_message *m, uint32_t alias)
{
    account *child = &accounts[sim_alias(m->target) - 1];
    if (child->entry.asked || child->entry.known)
        sim_violation("i%u: starts i%u, which was started before", alias, sim_alias(m->target));
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value payload = { 0 };
    int64_t number = 0;
    bool good = pw_json_parse(&payload, m->payload, NULL, &arena, NULL) == PAWL_OK &&
                pw_str_eq(pw_get_text(payload, "parent"), sim_alias_id(alias));
    child->entry.asked = true;
    child->parent = alias;
    child->awaited = pw_integer(pw_get_lit(payload, "visit"), &number);
    sim_note("  i%u: starts i%u %s visit %lld", alias, sim_alias(m->target),
             child->awaited ? "for" : "without", (long long)number);
    pw_arena_done(&arena);
    if (!good)
        sim_violation("i%u: the start of i%u cannot be read", alias, sim_alias(m->target));
}

static void on_messages(account *a, uint32_t alias, const pw_transition *t, bool ended)
{
    for (size_t i = 0; i < t->message_count; i++) {
        const pw_inbox_message *m = &t->messages[i];
        if (pw_str_is(m->kind, "start")) {
            on_start_row(m, alias);
        } else if (pw_str_is(m->kind, "cancel")) {
            account *child = child_of(m, alias);
            if (child->let_go || !child->awaited)
                sim_violation("i%u: cancels i%u, for which it does not wait", alias,
                              sim_alias(m->target));
            child->let_go = true;
            sim_note("  i%u: cancels i%u", alias, sim_alias(m->target));
        } else if (pw_str_is(m->kind, "compensate")) {
            account *child = child_of(m, alias);
            if (!child->awaited)
                sim_violation("i%u: compensates i%u, for which it never waited", alias, sim_alias(m->target));
            child->let_go = true;
            child->asked_undo++;
            sim_note("  i%u: compensates i%u", alias, sim_alias(m->target));
        } else {
            if (!a->awaited || a->told > a->asked_undo || a->parent != sim_alias(m->target) ||
                !(pw_status_ended(t->status) || t->fault))
                sim_violation("i%u: tells i%u how it has ended", alias, sim_alias(m->target));
            a->told++;
        }
    }
    bool silent = ((t->status == PW_CANCELLED || a->entry.compensated) && a->let_go) ||
                  (a->entry.incident && a->entry.compensated); /* that is told at the end */
    if (!ended && pw_status_ended(t->status) && a->awaited && !a->told && !silent)
        sim_violation("i%u has ended as %s, and i%u is not told", alias, pw_status_name(t->status),
                      a->parent);
}

static void check_parent(const account *a, uint32_t alias, const pw_commit_item *item)
{
    bool child = item->create->parent.len > 0;
    if (child != a->entry.asked ||
        (child && !pw_str_eq(item->create->parent, sim_alias_id(a->parent))))
        sim_violation("i%u: it begins %s", alias,
                      child ? "as a child, and its parent does not know it" : "without its parent");
    if (a->entry.returned)
        sim_violation("i%u: it begins, and its start was returned", alias);
}

void sim_ledger_returned(pw_str target, pw_str key)
{
    account *a = &accounts[sim_alias(target) - 1];
    sim_note("inbox: a row of i%u is returned: " PW_FMT, sim_alias(target), PW_ARG(key));
    if (!pw_str_is(key, "start"))
        return;
    if (a->entry.known || !a->entry.asked || a->entry.returned)
        sim_violation("i%u: its start is returned", sim_alias(target));
    a->entry.returned = true;
}

static void on_end(const account *a, uint32_t alias)
{
    for (uint64_t i = 1; i < a->visit_room && a->entry.status != PW_FAULTED; i++)
        if (a->visits[i].begun && !a->visits[i].ended)
            sim_violation("i%u has ended as %s, and visit %llu has not", alias,
                          pw_status_name(a->entry.status), (unsigned long long)i);
}

static void check_step(const account *a, uint32_t alias, const pw_commit_item *item)
{
    const sim_entry *e = &a->entry;
    pw_status next = item->transition->status;
    if (item->token != e->sequence)
        sim_violation("i%u: step %llu is committed after step %llu", alias,
                      (unsigned long long)item->token + 1, (unsigned long long)e->sequence);
    if (e->known == (item->create != NULL))
        sim_violation("i%u: created %s", alias, e->known ? "twice" : "by nobody");
    if (item->create)
        check_parent(a, alias, item);
    if (e->known && e->status != next && !pw_status_may_move(e->status, next))
        sim_violation("i%u: moves from %s to %s", alias, pw_status_name(e->status),
                      pw_status_name(next));
    if (item->now_ms < a->last_ms)
        sim_violation("i%u: step %llu is %lld ms before the one before it", alias,
                      (unsigned long long)item->token + 1, (long long)(a->last_ms - item->now_ms));
}

void sim_ledger_commit(const pw_commit_item *item)
{
    uint32_t alias = sim_alias(item->instance);
    account *a = &accounts[alias - 1];
    const pw_transition *t = item->transition;
    bool ended = a->entry.known && sim_has_ended(&a->entry);
    check_step(a, alias, item);
    if (!a->entry.known)
        a->first_ms = item->now_ms;
    if (item->create)
        a->flow = (uint32_t)(item->create->name.ptr[item->create->name.len - 1] - '0');
    sim_faults_begin(a, alias, item);
    a->entry.known = true;
    a->entry.sequence = item->token + 1;
    a->entry.status = t->status;
    a->entry.moved_ns = sim_now_ns;
    a->last_ms = item->now_ms;
    a->steps = grown(a->steps, &a->step_room, a->entry.sequence, sizeof *a->steps);
    a->steps[a->entry.sequence].digest = pw_hash64(1, t->entries.ptr, t->entries.len);
    sim_note("commit: i%u seq %llu %s -> %s, %zu bytes, wake %lld", alias,
             (unsigned long long)a->entry.sequence, pw_event_name(item->event),
             pw_status_name(t->status), t->entries.len,
             (long long)(t->wake_at > 0 ? t->wake_at - SIM_EPOCH_MS : t->wake_at));
    on_entries(a, alias, item, ended);
    sim_undo_step(a, alias, item);
    on_intents(t, alias);
    on_messages(a, alias, t, ended);
    if (ended && item->event != PW_EVENT_COMPENSATE && item->event != PW_EVENT_REWIND && (t->call_count || t->bookmark_count || t->work_count))
        sim_violation("i%u: begins something after its end", alias);
    sim_faults_end(a, alias, item);
    if (sim_has_ended(&a->entry))
        on_end(a, alias);
}

/* ------------------------------------------------------------------ the outside */

void sim_ledger_request(pw_str instance, pw_str key, pw_str request)
{
    uint32_t alias = sim_alias(instance);
    const struct intent *intent = intent_of(key);
    if (!intent || intent->alias != alias)
        sim_violation("i%u: a request arrives with the key " PW_FMT ", which was not committed",
                      alias, PW_ARG(key));
    if (!pw_str_is(request, intent->request))
        sim_violation("i%u: the request with the key " PW_FMT " is not the one committed: " PW_FMT
                      " instead of %s",
                      alias, PW_ARG(key), PW_ARG(request), intent->request);
}

/* What a person is to judge is sent once for each attempt: after that nobody knows what became of it. */
void sim_ledger_sent(pw_str instance, uint64_t number, uint32_t attempt)
{
    uint32_t alias = sim_alias(instance);
    visit *v = sim_visit_of(&accounts[alias - 1], number);
    if (attempt < 1 || attempt > 63 || attempt > v->lost + 1)
        sim_violation("i%u: attempt %u of visit %llu is sent, and was not committed", alias, attempt,
                      (unsigned long long)number);
    if ((v->sent >> attempt & 1) && v->said.on_unknown != PW_ON_UNKNOWN_RESEND)
        sim_violation("i%u: attempt %u of visit %llu is sent twice, and nobody was asked", alias, attempt,
                      (unsigned long long)number);
    v->sent |= 1ull << attempt;
}

void sim_ledger_unknown(pw_str instance, uint64_t number, uint32_t attempt)
{
    visit *v = sim_visit_of(&accounts[sim_alias(instance) - 1], number);
    if (attempt < 64)
        v->unknown |= 1ull << attempt;
}

void sim_ledger_attempt(pw_str instance, uint64_t number, uint32_t attempt, pw_str key,
                        pw_str input)
{
    uint32_t alias = sim_alias(instance);
    visit *v = sim_visit_of(&accounts[alias - 1], number);
    sim_note("activity: i%u visit %llu attempt %u begins", alias, (unsigned long long)number,
             attempt);
    if (!v->begun || !v->works || attempt > v->lost + 1 || attempt < 1 || attempt > 63)
        sim_violation("i%u: attempt %u of visit %llu was not committed", alias, attempt,
                      (unsigned long long)number);
    if (v->handed & 1ull << attempt)
        sim_violation("i%u: attempt %u of visit %llu is handed out twice", alias, attempt,
                      (unsigned long long)number);
    v->handed |= 1ull << attempt;
    if (v->key && (!pw_str_is(key, v->key) || !pw_str_is(input, v->input)))
        sim_violation("i%u: attempt %u of visit %llu has another key or input than the one before",
                      alias, attempt, (unsigned long long)number);
    if (!v->key) {
        v->key = sim_copy(key);
        v->input = sim_copy(input);
    }
}

sim_answer sim_ledger_answer(pw_str instance, uint64_t number, uint32_t attempt)
{
    account *a = &accounts[sim_alias(instance) - 1];
    const visit *v = sim_visit_of(a, number);
    bool taken = v->answered >> attempt & 1;
    return (sim_answer){ .wanted = v->begun && v->works && !v->ended && !taken &&
                                   attempt == v->lost + 1 && !v->waits && !v->kept && !sim_has_ended(&a->entry),
                         .times = taken };
}

void sim_ledger_reported(const char *json)
{
    char id[PW_ID_SIZE] = "";
    unsigned long long sequence = 0;
    if (sscanf(json, "{\"instance\":\"%26[^\"]\",\"sequence\":%llu", id, &sequence) != 2)
        sim_violation("a report of a step that cannot be read: %.100s", json);
    uint32_t alias = sim_alias(pw_str_of(id));
    account *a = &accounts[alias - 1];
    if (sequence > a->entry.sequence)
        sim_violation("i%u: step %llu is reported and was not committed", alias, sequence);
    if (a->steps[sequence].reported)
        sim_violation("i%u: step %llu is reported twice", alias, sequence);
    a->steps[sequence].reported = true;
}
