/* undo.c - what all stores have in common for compensation plans. */
#include "store/store_internal.h"

bool pw_store_undo_ended(pw_undo_state state)
{
    return (PW_STORE_UNDO_LEFT & PW_BIT((unsigned)state)) == 0;
}

pawl_code pw_store_no_such_undo(pw_commit_item *item, const pw_undo_change *change)
{
    item->code = pw_fail(&item->error, PAWL_CORRUPT,
                         "instance '" PW_FMT "': no step %llu in its compensation plan: its state "
                         "and its rows do not agree",
                         PW_ARG(item->instance), (unsigned long long)change->ordinal);
    return item->code;
}

const char *pw_store_check_undo(const pw_transition *t)
{
    for (size_t i = 0; i < t->undo_count; i++) {
        const pw_undo_step *u = &t->undo[i];
        if (!pw_store_fits(u->key, 1, PW_KEY_MAX) || !pw_store_fits(u->child, 0, PW_ID_MAX))
            return "a compensation step's key must have 1 to 1024 bytes, its child at most 128, "
                   "and no NUL";
        if (u->ordinal == 0 || u->ordinal >= INT64_MAX || u->visit > INT64_MAX ||
            (unsigned)u->state >= PW_UNDO_STATE_COUNT)
            return "a compensation step's ordinal, visit or state is none";
    }
    for (size_t i = 0; i < t->undo_change_count; i++) {
        const pw_undo_change *change = &t->undo_changes[i];
        if (change->ordinal > INT64_MAX || change->visit > INT64_MAX ||
            (unsigned)change->state >= PW_UNDO_STATE_COUNT)
            return "a change of a compensation step has an ordinal, visit or state that is none";
    }
    return NULL;
}

pawl_code pw_store_undo(pw_store *store, pw_str instance, const pw_undo_filter *filter,
                        pw_undo_row **out, size_t *count, bool *more, pw_arena *arena,
                        pawl_error *err)
{
    PW_STORE_TIMED(store, ROWS);
    if (filter->limit < 1 || filter->limit > PW_PAGE_MAX)
        return pw_fail(err, PAWL_INVALID, "a page has 1 to %u rows, not %u", PW_PAGE_MAX,
                       filter->limit);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->undo(store, instance, filter, out, count, more, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_undo_count(pw_store *store, pw_str instance, const pw_undo_filter *filter,
                              uint64_t *out, pawl_error *err)
{
    PW_STORE_TIMED(store, ROWS);
    const pw_undo_filter all = { .below = UINT64_MAX,
                                 .states = filter->states,
                                 .scope = filter->scope };
    uint64_t count = 0;
    pawl_code code = store->ops->undo_count(store, instance, &all, &count, err);
    if (code == PAWL_OK)
        *out = count;
    return code;
}
