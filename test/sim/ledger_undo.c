/* ledger_undo.c - of compensation: what was committed, checked as it is committed.
 *
 * Only what was done, or may have been, is in a plan, and all that took effect outside is. What is undone is undone in
 * reverse order, unless it was done in different branches of a fork, once for each effect, because somebody has asked for it; and
 * nothing is left of what ends as compensated. */
#include <stdlib.h>
#include "ledger.h"
#include "base/json.h"

#define IS(type, name) pw_str_is(type, name)
#define LEFT (PW_BIT(PW_UNDO_REGISTERED) | PW_BIT(PW_UNDO_UNKNOWN) | PW_BIT(PW_UNDO_RUNNING))

static bool is_left(const undo *u)
{
    return LEFT & PW_BIT((unsigned)u->state);
}

static undo *undo_of(const account *a, uint64_t ordinal)
{
    for (uint32_t i = 0; i < a->undo_count; i++)
        if (a->undo[i].ordinal == ordinal)
            return &a->undo[i];
    return NULL;
}

static undo *undo_of_key(const account *a, pw_str key)
{
    for (uint32_t i = 0; i < a->undo_count; i++)
        if (pw_str_is(key, a->undo[i].key))
            return &a->undo[i];
    return NULL;
}

/* While something is being undone, what is done has rows of its own: a key with '#' and a number behind it. */
static bool has_effect(const account *a, const char *key)
{
    size_t len = strlen(key);
    for (uint32_t i = 0; i < a->undo_count; i++)
        if (strncmp(a->undo[i].key, key, len) == 0 && (a->undo[i].key[len] == '\0' || a->undo[i].key[len] == '#'))
            return true;
    return false;
}

/* ------------------------------------------------------------------ order */

static bool take_part(pw_str *path, pw_str *fork, pw_str *branch)
{
    size_t end = 0;
    while (end < path->len && path->ptr[end] != '/')
        end++;
    size_t dot = 0;
    while (dot < end && path->ptr[dot] != '.')
        dot++;
    *fork = (pw_str){ path->ptr, dot };
    *branch = (pw_str){ path->ptr + (dot < end ? dot + 1 : end), dot < end ? end - dot - 1 : 0 };
    size_t taken = end < path->len ? end + 1 : end;
    *path = (pw_str){ path->ptr + taken, path->len - taken };
    return end > 0;
}

/* Unless they were done in two branches of one fork. */
static bool ordered(pw_str a, pw_str b)
{
    pw_str forks[2], branches[2];
    while (take_part(&a, &forks[0], &branches[0]) && take_part(&b, &forks[1], &branches[1])) {
        if (!pw_str_eq(forks[0], forks[1]))
            return true;
        if (!pw_str_eq(branches[0], branches[1]))
            return false;
    }
    return true;
}

static bool is_inside(const char *task, const char *scope)
{
    size_t len = strlen(scope);
    return len == 0 || (strncmp(task, scope, len) == 0 && (task[len] == '\0' || task[len] == '/'));
}

/* What undoes now: compensations that have begun and not ended. */
static uint32_t asking(const account *a, const undo *u, const asked **out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < a->asked_count; i++) {
        const asked *c = &a->asked[i];
        if (c->over || u->ordinal > c->until || !is_inside(u->task, c->scope))
            continue;
        *out = c;
        count++;
    }
    return count;
}

static void check_turn(const account *a, uint32_t alias, const undo *u)
{
    const asked *by = NULL;
    uint32_t count = asking(a, u, &by);
    if (count == 0)
        sim_violation("i%u: step %llu of its plan is carried out, and nobody has asked for it", alias,
                      (unsigned long long)u->ordinal);
    for (uint32_t i = 0; i < a->undo_count && count == 1; i++) {
        const undo *later = &a->undo[i];
        if (is_left(later) && later->ordinal > u->ordinal && later->ordinal <= (by->whole ? by->until : by->from) &&
            is_inside(later->task, by->scope) && ordered(pw_str_of(later->branch), pw_str_of(u->branch)))
            sim_violation("i%u: step %llu of its plan is carried out before step %llu is over", alias,
                          (unsigned long long)u->ordinal, (unsigned long long)later->ordinal);
    }
}

/* ------------------------------------------------------------------ rows of a step */

static void on_registered(account *a, uint32_t alias, const pw_undo_step *row)
{
    const visit *v = sim_visit_of(a, row->visit);
    undo *u = undo_of_key(a, row->key);
    sim_note("  i%u: plan %llu %s: visit %llu, branch '" PW_FMT "', key " PW_FMT, alias,
             (unsigned long long)row->ordinal, pw_undo_state_name(row->state), (unsigned long long)row->visit,
             PW_ARG(row->branch), PW_ARG(row->key));
    if (row->ordinal <= a->undo_last)
        sim_violation("i%u: step %llu of its plan comes after step %llu", alias, (unsigned long long)row->ordinal,
                      (unsigned long long)a->undo_last);
    a->undo_last = row->ordinal;
    if (!v->begun || (row->state != PW_UNDO_REGISTERED && row->state != PW_UNDO_UNKNOWN))
        sim_violation("i%u: visit %llu is in its plan as %s, and never began", alias, (unsigned long long)row->visit,
                      pw_undo_state_name(row->state));
    if (row->state == PW_UNDO_REGISTERED && !v->done && !v->held && row->child.len == 0)
        sim_violation("i%u: visit %llu is in its plan, and was not done", alias, (unsigned long long)row->visit);
    if (row->state == PW_UNDO_UNKNOWN && v->done)
        sim_violation("i%u: visit %llu is in its plan as unknown, and was done", alias, (unsigned long long)row->visit);
    if (!u) {
        if (a->undo_count == a->undo_room) {
            a->undo_room = a->undo_room ? 2 * a->undo_room : 16;
            a->undo = realloc(a->undo, a->undo_room * sizeof *a->undo);
            PW_ASSERT(a->undo != NULL);
        }
        u = &a->undo[a->undo_count++];
        *u = (undo){ .key = sim_copy(row->key) };
    } else {
        free(u->task);
        free(u->branch);
        free(u->child);
    }
    u->ordinal = row->ordinal;
    u->state = row->state;
    u->by = 0;
    u->task = sim_copy(row->task);
    u->branch = sim_copy(row->branch);
    u->child = sim_copy(row->child);
}

static void on_changed(account *a, uint32_t alias, const pw_undo_change *change)
{
    undo *u = undo_of(a, change->ordinal);
    sim_note("  i%u: plan %llu %s", alias, (unsigned long long)change->ordinal, pw_undo_state_name(change->state));
    if (!u)
        sim_violation("i%u: step %llu of its plan is %s, and is not in it", alias,
                      (unsigned long long)change->ordinal, pw_undo_state_name(change->state));
    if (!is_left(u))
        sim_violation("i%u: step %llu of its plan was %s, and is now %s", alias, (unsigned long long)u->ordinal,
                      pw_undo_state_name(u->state), pw_undo_state_name(change->state));
    if (change->state == PW_UNDO_RUNNING)
        check_turn(a, alias, u);
    else if (change->state == PW_UNDO_DONE &&
             (u->state != PW_UNDO_RUNNING || !sim_visit_of(a, u->by)->done))
        sim_violation("i%u: step %llu of its plan is done, and nothing has undone it", alias,
                      (unsigned long long)u->ordinal);
    else if (change->state == PW_UNDO_FAILED && !sim_flow_said(a->flow, pw_str_of(u->task)).undo_optional)
        sim_violation("i%u: step %llu of its plan fails and is let pass, and is required", alias,
                      (unsigned long long)u->ordinal);
    else if (change->state == PW_UNDO_UNKNOWN)
        sim_violation("i%u: step %llu of its plan becomes unknown", alias, (unsigned long long)u->ordinal);
    u->state = change->state;
    if (change->visit)
        u->by = change->visit;
}

/* ------------------------------------------------------------------ entries, and a step */

static void begin(account *a, uint64_t number, pw_str scope, bool whole)
{
    PW_ASSERT(a->asked_count < PW_LENGTH(a->asked));
    a->asked[a->asked_count++] = (asked){
        .visit = number, .from = a->undo_last, .until = a->undo_last, .scope = sim_copy(scope), .whole = whole
    };
}

void sim_undo_entry(account *a, uint32_t alias, pw_str type, pw_value entry)
{
    int64_t number = 0;
    pw_str task = pw_get_text(entry, "task");
    bool whole = pw_str_starts(task, PW_LIT("/document/"));
    (void)pw_integer(pw_get_lit(entry, "visit"), &number);
    if (IS(type, "compensation.started")) {
        a->entry.compensated++;
        a->entry.compensating = true;
    }
    if (IS(type, "task.started") &&
        (whole || sim_flow_said(a->flow, task).compensates))
        begin(a, (uint64_t)number, pw_get_text(entry, "scope"), whole);
    if (IS(type, "compensation.completed") && number > 0 && whole)
        sim_visit_of(a, (uint64_t)number)->ended = true;
    (void)alias;
}

void sim_undo_step(account *a, uint32_t alias, const pw_commit_item *item)
{
    const pw_transition *t = item->transition;
    if (pw_str_is(item->actor, SIM_DRY))
        sim_violation("i%u: step %llu is of a dry run", alias, (unsigned long long)item->token + 1);
    a->entry.mended += item->event == PW_EVENT_SKIP || item->event == PW_EVENT_GOTO || item->event == PW_EVENT_EDIT ||
                       item->event == PW_EVENT_REWIND || item->event == PW_EVENT_COMPENSATE;
    a->entry.rewound += item->event == PW_EVENT_REWIND;
    if (sim_has_ended(&a->entry) || item->event == PW_EVENT_REWIND)
        a->entry.compensating = false;
    for (size_t i = 0; i < t->undo_count; i++)
        on_registered(a, alias, &t->undo[i]);
    /* what was registered in the step of its beginning may have been before it */
    for (uint32_t i = 0; i < a->asked_count && t->undo_count; i++)
        if (!a->asked[i].counted)
            a->asked[i].until = a->undo_last;
    for (uint32_t i = 0; i < a->asked_count; i++)
        a->asked[i].counted = true;
    for (size_t i = 0; i < t->undo_change_count; i++)
        on_changed(a, alias, &t->undo_changes[i]);
    for (uint32_t i = 0; i < a->asked_count; i++)
        a->asked[i].over = a->asked[i].over || sim_visit_of(a, a->asked[i].visit)->ended || sim_has_ended(&a->entry);
    for (uint32_t i = 0; i < a->undo_count && t->status == PW_COMPENSATED; i++)
        if (is_left(&a->undo[i]))
            sim_violation("i%u is compensated, and step %llu of its plan is %s", alias,
                          (unsigned long long)a->undo[i].ordinal, pw_undo_state_name(a->undo[i].state));
}

/* ------------------------------------------------------------------ the outside, and the end */

void sim_ledger_effect(pw_str instance, pw_str key, bool took)
{
    account *a = sim_account(sim_alias(instance));
    uint32_t at = 0;
    while (at < a->effect_count && !pw_str_is(key, a->effects[at].key))
        at++;
    if (at == a->effect_count && at == a->effect_room) {
        a->effect_room = a->effect_room ? 2 * a->effect_room : 16;
        a->effects = realloc(a->effects, a->effect_room * sizeof *a->effects);
        PW_ASSERT(a->effects != NULL);
    }
    if (at == a->effect_count)
        a->effects[a->effect_count++] = (effect){ .key = sim_copy(key) };
    a->effects[at].denied = a->effects[at].denied || !took;
}

static void check_rows(const account *a, uint32_t alias, pw_arena *arena)
{
    pw_undo_filter filter = { .below = UINT64_MAX, .limit = PW_PAGE_MAX };
    bool more = true;
    uint32_t found = 0;
    while (more) {
        pw_undo_row *rows = NULL;
        size_t count = 0;
        pawl_code code =
            pw_store_undo(sim_store, sim_alias_id(alias), &filter, &rows, &count, &more, arena, NULL);
        PW_ASSERT(code == PAWL_OK);
        for (size_t i = 0; i < count; i++) {
            const undo *u = undo_of(a, rows[i].step.ordinal);
            filter.below = rows[i].step.ordinal;
            if (!u || u->state != rows[i].step.state || !pw_str_is(rows[i].step.key, u->key) ||
                rows[i].carried_out_by != u->by)
                sim_violation("i%u: step %llu of its plan is not the one committed", alias,
                              (unsigned long long)rows[i].step.ordinal);
            found++;
        }
    }
    if (found != a->undo_count)
        sim_violation("i%u: its plan has %u steps, and %u were committed", alias, found, a->undo_count);
}

/* Children that were to be compensated are. */
static void check_children(const account *a, uint32_t alias)
{
    for (uint32_t i = 0; i < a->undo_count; i++) {
        const undo *u = &a->undo[i];
        if (u->child[0] == '\0' || u->state != PW_UNDO_DONE)
            continue;
        const account *child = sim_account(sim_alias(pw_str_of(u->child)));
        for (uint32_t j = 0; j < child->undo_count && child->entry.status == PW_COMPENSATED; j++)
            if (is_left(&child->undo[j]))
                sim_violation("i%u: i%u was compensated for it, and step %llu of its plan is %s", alias,
                              sim_alias(pw_str_of(u->child)), (unsigned long long)child->undo[j].ordinal,
                              pw_undo_state_name(child->undo[j].state));
    }
}

/* What took effect outside is in the plan of what was compensated, unless the service has said otherwise once. */
static void check_effects(account *a, uint32_t alias)
{
    for (uint32_t i = 0; i < a->effect_count && a->entry.status == PW_COMPENSATED; i++) {
        const effect *e = &a->effects[i];
        pw_str task = sim_ledger_task_of(pw_str_of(e->key));
        sim_said its = sim_flow_said(a->flow, task);
        if (its.undo && !its.undo_if && !e->denied && !has_effect(a, e->key))
            sim_violation("i%u is compensated, and the effect of the key %s, of " PW_FMT ", was never undone", alias,
                          e->key, PW_ARG(task));
    }
}

void sim_undo_check(uint32_t alias, pw_arena *arena)
{
    account *a = sim_account(alias);
    check_rows(a, alias, arena);
    check_children(a, alias);
    check_effects(a, alias);
}
