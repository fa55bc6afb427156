/* clean.c - takes away what is old of the memory store. It takes no disk, and has no rows as a table has them: so nobody can
 * have them shown. */
#include <stdlib.h>

#include "store/memory/reading.h"

/* ---- may it go */

static bool has_living_child(const pw_memory *m, pw_str id)
{
    bool has = false;
    for (size_t i = 0; i < m->instances.count && !has; i++) {
        const pw_mem_instance *in = m->instances.items[i];
        const pw_instance_row *row = pw_mem_row_of(in);
        has = pw_str_eq(row->parent, id) && (row->ended_ms < 0 || pw_mem_fault_is_open(in));
    }
    return has;
}

static bool is_asked(const pw_memory *m, pw_str id)
{
    const pw_inbox_row first = { .target = id, .key = { "", 0 } };
    bool found = false, asked = false;
    for (size_t at = pw_mem_find(&m->inbox, pw_mem_compare_inbox, &first, &found); at < m->inbox.count && !asked; at++) {
        const pw_inbox_row *row = m->inbox.items[at];
        if (!pw_str_eq(row->target, id))
            break;
        asked = row->consumed_step == 0;
    }
    return asked;
}

static bool may_alone(const pw_memory *m, const pw_mem_instance *in, int64_t before_ms)
{
    const pw_instance_row *row = pw_mem_row_of(in);
    return row->ended_ms >= 0 && row->ended_ms < before_ms && !row->schedule && !pw_mem_fault_is_open(in) &&
           !pw_mem_publish_left(m, row->id) && !is_asked(m, row->id) && !has_living_child(m, row->id);
}

/* It and all above it that are still there. */
static bool may_go(const pw_memory *m, const pw_mem_instance *in, int64_t before_ms)
{
    bool may = may_alone(m, in, before_ms);
    for (unsigned n = 0; may && pw_mem_row_of(in)->parent.len > 0; n++) {
        in = pw_mem_instance_of(m, pw_mem_row_of(in)->parent);
        if (!in || pw_mem_row_of(in)->cleaned_ms)
            break;
        may = may_alone(m, in, before_ms) && n < PW_STORE_CLEAN_DEPTH;
    }
    return may;
}

/* ---- candidates */

typedef struct candidate {
    int64_t ms;
    pw_str id;
} candidate;

static int older(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->ms != y->ms)
        return x->ms < y->ms ? -1 : 1;
    return pw_str_cmp(x->id, y->id);
}

static const pw_mem_shape candidate_shape = SHAPE(candidate, IN(candidate, id));

static int64_t first_step_ms(const pw_mem_instance *in)
{
    return in->steps.count ? ((const pw_step_row *)in->steps.items[0])->at_ms : INT64_MAX;
}

static bool is_old(const pw_memory *m, const pw_mem_instance *in, const pw_clean *clean)
{
    const pw_instance_row *row = pw_mem_row_of(in);
    switch (clean->kind) {
    case PW_CLEAN_INSTANCES:
        return !row->cleaned_ms && may_go(m, in, clean->before_ms);
    case PW_CLEAN_EVENTS:
        return in->outbox.count > 0 && may_go(m, in, clean->before_ms);
    case PW_CLEAN_STEPS:
        return first_step_ms(in) < clean->before_ms && (row->cleaned_ms || may_go(m, in, INT64_MAX));
    case PW_CLEAN_BULKS:
    case PW_CLEAN_BREAKERS:
    case PW_CLEAN_KINDS:
        break;
    }
    return false;
}

static void find_instances(const pw_memory *m, const pw_clean *clean, rows *out)
{
    const bool steps = clean->kind == PW_CLEAN_STEPS;
    for (size_t i = 0; i < m->instances.count; i++) {
        const pw_mem_instance *in = m->instances.items[i];
        const pw_instance_row *row = pw_mem_row_of(in);
        if ((!steps || clean->place.whole == !row->cleaned_ms) && is_old(m, in, clean))
            (void)add(out, &(candidate){ row->ended_ms, row->id });
    }
}

static void find_others(const pw_memory *m, const pw_clean *clean, rows *out)
{
    for (size_t i = 0; clean->kind == PW_CLEAN_BULKS && i < m->bulks.count; i++) {
        const pw_bulk *b = m->bulks.items[i];
        if (b->state == PW_BULK_DONE && b->ended_ms < clean->before_ms)
            (void)add(out, &(candidate){ b->created_ms, b->id });
    }
    for (size_t i = 0; clean->kind == PW_CLEAN_BREAKERS && i < m->breakers.count; i++) {
        const pw_breaker_record *b = m->breakers.items[i];
        if (b->state == PW_BREAKER_CLOSED && b->forced == PW_BREAKER_AUTO && b->changed_ms < clean->before_ms)
            (void)add(out, &(candidate){ 0, b->service });
    }
}

/* ---- what goes */

static bool drop_all(pw_memory *m, pw_mem_list *list)
{
    bool good = true;
    while (good && list->count > 0)
        good = pw_mem_remove(m, list, list->count - 1);
    return good;
}

/* Payloads that no step names. */
static bool drop_payloads(pw_memory *m, pw_mem_instance *in, pw_arena *arena)
{
    const size_t count = in->payloads.count;
    pw_clean_payload *list = count ? pw_arena_alloc(arena, count * sizeof *list) : NULL;
    bool good = list || count == 0;
    for (size_t i = 0; good && i < count; i++)
        list[i] = (pw_clean_payload){ .digest = ((const pw_payload *)in->payloads.items[i])->digest };
    for (size_t i = 0; good && i < in->steps.count; i++) {
        const pw_step_row *step = in->steps.items[i];
        pw_clean_name(list, count, step->entries);
        pw_clean_name(list, count, step->cause);
    }
    for (pw_clean_payload *p; good && (p = pw_clean_unread(list, count)) != NULL;)
        pw_clean_name(list, count, ((const pw_payload *)in->payloads.items[p - list])->text);
    for (size_t i = count; good && i-- > 0;)
        if (!list[i].named)
            good = pw_mem_remove(m, &in->payloads, i);
    return good;
}

static bool make_tombstone(pw_memory *m, pw_mem_instance *in, const pw_clean *clean)
{
    pw_instance_row row = *pw_mem_row_of(in);
    row.cleaned_ms = clean->now_ms;
    row.state = row.output = row.error = (pw_str){ "", 0 };
    return pw_mem_replace(m, &in->row, 0, pw_mem_row_new(&pw_mem_instance_shape, &row));
}

static bool drop_instance(pw_memory *m, pw_str id)
{
    bool found = false;
    size_t at = pw_mem_find(&m->instances, pw_mem_compare_instance, &id, &found);
    return pw_mem_remove(m, &m->instances, at);
}

static bool clean_instance(pw_memory *m, pw_mem_instance *in, pw_clean *clean, pw_arena *arena)
{
    const pw_str id = pw_mem_row_of(in)->id;
    clean->found++;
    if (!pw_mem_deliveries_forget(m, in) || !pw_mem_inbox_forget(m, id) || !pw_mem_publish_forget(m, id))
        return false;
    if (in->steps.count == 0)
        return drop_instance(m, id);
    pw_mem_list *const lists[] = { &in->branches, &in->bookmarks, &in->calls,     &in->outbox,
                                   &in->faults,   &in->undo_keys, &in->undo };
    bool good = true;
    for (size_t i = 0; i < PW_LENGTH(lists) && good; i++)
        good = drop_all(m, lists[i]);
    return good && drop_payloads(m, in, arena) && make_tombstone(m, in, clean);
}

static bool clean_events(pw_memory *m, pw_mem_instance *in, pw_clean *clean)
{
    clean->found += in->outbox.count;
    return pw_mem_publish_forget(m, pw_mem_row_of(in)->id) && drop_all(m, &in->outbox);
}

static bool clean_steps(pw_memory *m, pw_mem_instance *in, pw_clean *clean, pw_arena *arena)
{
    const bool cleaned = pw_mem_row_of(in)->cleaned_ms != 0;
    bool good = true;
    while (good && first_step_ms(in) < clean->before_ms && (clean->dry_run || clean->found < clean->most)) {
        good = pw_mem_remove(m, &in->steps, 0);
        clean->found++;
    }
    if (good && cleaned && in->steps.count == 0)
        return drop_instance(m, pw_mem_row_of(in)->id);
    return good && (!cleaned || first_step_ms(in) < clean->before_ms || drop_payloads(m, in, arena));
}

static bool clean_one(pw_memory *m, const candidate *one, pw_clean *clean, pw_arena *arena)
{
    if (clean->kind == PW_CLEAN_BULKS || clean->kind == PW_CLEAN_BREAKERS) {
        clean->found++;
        return clean->kind == PW_CLEAN_BULKS ? pw_mem_bulk_forget(m, one->id) : pw_mem_breaker_forget(m, one->id);
    }
    pw_mem_instance *in = pw_mem_instance_of(m, one->id);
    if (clean->kind == PW_CLEAN_INSTANCES)
        return clean_instance(m, in, clean, arena);
    return clean->kind == PW_CLEAN_EVENTS ? clean_events(m, in, clean) : clean_steps(m, in, clean, arena);
}

/* ---- a transaction */

static bool is_full(const pw_clean *clean, size_t done)
{
    if (clean->kind == PW_CLEAN_INSTANCES && done >= clean->most)
        return true;
    return !clean->dry_run && (clean->found >= clean->most || clean->rows >= PW_STORE_CLEAN_ROWS(clean->most));
}

static bool clean_all(pw_memory *m, candidate *list, size_t count, pw_clean *clean, pw_arena *arena)
{
    const uint64_t before = m->counts.rows;
    const candidate place = { clean->place.ms, pw_str_of(clean->place.id) };
    bool good = true;
    if (count > 1)
        qsort(list, count, sizeof *list, older);
    for (size_t i = 0, done = 0; i < count && good; i++) {
        if (older(&list[i], &place) <= 0)
            continue;
        if (is_full(clean, done)) {
            clean->more = true;
            break;
        }
        good = clean_one(m, &list[i], clean, arena);
        clean->rows = m->counts.rows - before;
        done++;
        if (clean->kind == PW_CLEAN_STEPS && is_full(clean, done))
            clean->more = true; /* the rest of it, perhaps */
        else
            pw_clean_go_on(&clean->place, list[i].ms, list[i].id);
    }
    return good;
}

pawl_code pw_memory_clean(pw_store *base, pw_clean *clean, pawl_error *err)
{
    if (clean->row)
        return pw_fail(err, PAWL_INVALID, "a store in memory has no rows to export: take the path away");
    pw_memory *m = pw_memory_of(base);
    pw_arena arena;
    rows found = { .shape = &candidate_shape, .arena = &arena };
    pw_clean result = *clean;
    pawl_code code = pw_mem_begin(base, err);
    if (code != PAWL_OK)
        return code;
    pw_arena_init(&arena, 0);
    find_instances(m, clean, &found);
    find_others(m, clean, &found);
    if (arena.failed || !clean_all(m, (candidate *)(void *)found.items, found.count, &result, &arena) || arena.failed)
        code = pw_no_memory(err);
    const bool over = code == PAWL_OK && clean->dry_run;
    code = pw_mem_end(base, over ? PAWL_CONFLICT : code, err);
    pw_arena_done(&arena);
    if (code != (over ? PAWL_CONFLICT : PAWL_OK))
        return code;
    *clean = result;
    if (!clean->more && clean->kind == PW_CLEAN_STEPS && !clean->place.whole) {
        clean->place = (pw_clean_place){ .whole = true };
        clean->more = true;
    }
    return PAWL_OK;
}

/* ---- room */

pawl_code pw_memory_vacuum(pw_store *base, uint32_t pages, uint64_t *given, uint64_t *left, pawl_error *err)
{
    (void)base;
    (void)pages;
    (void)given;
    (void)left;
    (void)err;
    return PAWL_OK; /* what was deleted was freed */
}

pawl_code pw_memory_space(pw_store *base, pw_store_space *out, pawl_error *err)
{
    (void)base;
    (void)err;
    *out = (pw_store_space){ .disk_free_bytes = UINT64_MAX, .disk_bytes = UINT64_MAX };
    return PAWL_OK;
}
