/* undo.c - compensation plans of the memory store. */
#include "store/memory/reading.h"

const pw_mem_shape pw_mem_undo_shape =
    SHAPE(pw_undo_row, IN(pw_undo_row, step.task), IN(pw_undo_row, step.key),
          IN(pw_undo_row, step.branch), IN(pw_undo_row, step.arguments),
          IN(pw_undo_row, step.error), IN(pw_undo_row, step.child));

static int compare_undo(const void *item, const void *key)
{
    return pw_mem_by_number(((const pw_undo_row *)item)->step.ordinal, *(const uint64_t *)key);
}

/* Where a key is in the plan. */
typedef struct effect {
    pw_str key;
    uint64_t ordinal;
} effect;

static const pw_mem_shape effect_shape = SHAPE(effect, IN(effect, key));

static int compare_effect(const void *item, const void *key)
{
    return pw_str_cmp(((const effect *)item)->key, *(const pw_str *)key);
}

/* ---- rows of a step */

/* What has the same key was the same effect: it moves. */
static bool move_effect(pw_memory *m, pw_mem_instance *in, const pw_undo_step *step)
{
    const effect row = { step->key, step->ordinal };
    bool found = false, there = false;
    size_t at = pw_mem_find(&in->undo_keys, compare_effect, &step->key, &found);
    if (!found)
        return pw_mem_put(m, &in->undo_keys, at, pw_mem_row_new(&effect_shape, &row));
    const effect *before = in->undo_keys.items[at];
    size_t old = pw_mem_find(&in->undo, compare_undo, &before->ordinal, &there);
    PW_ASSERT(there);
    return pw_mem_remove(m, &in->undo, old) &&
           pw_mem_replace(m, &in->undo_keys, at, pw_mem_row_new(&effect_shape, &row));
}

bool pw_mem_undo_put(pw_memory *m, pw_mem_instance *in, pw_commit_item *item,
                     const pw_undo_step *step)
{
    pw_undo_row row = { .step = *step,
                        .created_ms = item->now_ms,
                        .ended_ms = pw_store_undo_ended(step->state) ? item->now_ms : -1 };
    bool found = false;
    size_t at = pw_mem_find(&in->undo, compare_undo, &step->ordinal, &found);
    if (found) {
        pw_mem_refuse(item, "its plan has a step in the place of", step->key);
        return true;
    }
    if (!move_effect(m, in, step))
        return false;
    at = pw_mem_find(&in->undo, compare_undo, &step->ordinal, &found);
    return pw_mem_put(m, &in->undo, at, pw_mem_row_new(&pw_mem_undo_shape, &row));
}

bool pw_mem_undo_change(pw_memory *m, pw_mem_instance *in, pw_commit_item *item,
                        const pw_undo_change *change)
{
    bool found = false;
    size_t at = pw_mem_find(&in->undo, compare_undo, &change->ordinal, &found);
    if (!found) {
        (void)pw_store_no_such_undo(item, change);
        return true;
    }
    pw_undo_row row = *(const pw_undo_row *)in->undo.items[at];
    row.step.state = change->state;
    row.ended_ms = pw_store_undo_ended(change->state) ? item->now_ms : -1;
    if (change->visit > 0)
        row.carried_out_by = change->visit;
    if (change->error.len > 0)
        row.step.error = change->error;
    return pw_mem_replace(m, &in->undo, at, pw_mem_row_new(&pw_mem_undo_shape, &row));
}

/* ---- reading */

static bool is_inside(pw_str task, pw_str scope)
{
    return scope.len == 0 ||
           (pw_str_starts(task, scope) && (task.len == scope.len || task.ptr[scope.len] == '/'));
}

static bool lets_through(const pw_undo_filter *filter, const pw_undo_row *row)
{
    return row->step.ordinal < filter->below &&
           (filter->states == 0 || filter->states & PW_BIT((unsigned)row->step.state)) &&
           is_inside(row->step.task, filter->scope);
}

pawl_code pw_memory_undo(pw_store *base, pw_str id, const pw_undo_filter *filter, pw_undo_row **out,
                         size_t *count, bool *more, pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &pw_mem_undo_shape, .arena = arena };
    size_t bytes = 0;
    *more = false;
    pthread_mutex_lock(&m->lock);
    const pw_mem_instance *in = pw_mem_instance_of(m, id);
    for (size_t i = in ? in->undo.count : 0; i-- > 0 && !*more;) {
        const pw_undo_row *row = in->undo.items[i];
        if (!lets_through(filter, row))
            continue;
        *more = r.count == filter->limit || bytes >= PW_STORE_UNDO_PAGE_BYTES;
        bytes += row->step.arguments.len;
        if (!*more)
            (void)add(&r, row);
    }
    return give(m, &r, out, count, err);
}

pawl_code pw_memory_undo_count(pw_store *base, pw_str id, const pw_undo_filter *filter,
                               uint64_t *out, pawl_error *err)
{
    (void)err;
    pw_memory *m = pw_memory_of(base);
    pthread_mutex_lock(&m->lock);
    const pw_mem_instance *in = pw_mem_instance_of(m, id);
    for (size_t i = 0; in && i < in->undo.count; i++)
        *out += lets_through(filter, in->undo.items[i]);
    pthread_mutex_unlock(&m->lock);
    return PAWL_OK;
}
