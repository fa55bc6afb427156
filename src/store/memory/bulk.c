/* bulk.c - bulk operations of the memory store. */
#include "store/memory/reading.h"

typedef struct failure {
    pw_str bulk, instance, code, message;
    uint64_t number;
} failure;

static const pw_mem_shape bulk_shape =
    SHAPE(pw_bulk, IN(pw_bulk, id), IN(pw_bulk, request), IN(pw_bulk, actor), IN(pw_bulk, cursor),
          IN(pw_bulk, page), IN(pw_bulk, node), IN(pw_bulk, stopped_by));
static const pw_mem_shape failure_shape = SHAPE(failure, IN(failure, bulk), IN(failure, instance),
                                                IN(failure, code), IN(failure, message));
static const pw_mem_shape given_shape =
    SHAPE(pw_bulk_failure, IN(pw_bulk_failure, instance), IN(pw_bulk_failure, code),
          IN(pw_bulk_failure, message));

static int compare_bulk(const void *item, const void *key)
{
    const pw_bulk *a = item, *b = key;
    if (a->created_ms != b->created_ms)
        return a->created_ms < b->created_ms ? -1 : 1;
    return pw_str_cmp(a->id, b->id);
}

static int compare_failure(const void *item, const void *key)
{
    const failure *a = item, *b = key;
    int order = pw_str_cmp(a->bulk, b->bulk);
    return order ? order : pw_mem_by_number(a->number, b->number);
}

static const pw_bulk *bulk_of(const pw_memory *m, pw_str id)
{
    for (size_t i = 0; i < m->bulks.count; i++)
        if (pw_str_eq(((const pw_bulk *)m->bulks.items[i])->id, id))
            return m->bulks.items[i];
    return NULL;
}

/* ---- writing */

static bool put_failures(pw_memory *m, const pw_bulk *bulk, const pw_bulk_failure *failures,
                         size_t count, uint64_t first)
{
    bool good = true;
    for (size_t i = 0; i < count && good; i++) {
        const failure row = { bulk->id, failures[i].instance, failures[i].code, failures[i].message,
                              first + i };
        bool found = false;
        size_t at = pw_mem_find(&m->bulk_failures, compare_failure, &row, &found);
        good = !found && pw_mem_put(m, &m->bulk_failures, at, pw_mem_row_new(&failure_shape, &row));
    }
    return good;
}

static pawl_code set_bulk(pw_memory *m, const pw_bulk *bulk, const pw_bulk_failure *failures,
                          size_t count, uint64_t first, bool *won, pawl_error *err)
{
    const pw_bulk *there = bulk_of(m, bulk->id);
    *won = (there ? there->epoch : 0) == bulk->epoch;
    if (!*won)
        return PAWL_CONFLICT; /* not ours: nothing to keep */
    pw_bulk row = *bulk;
    row.epoch++;
    if (there) { /* what was wanted stays */
        row.request = there->request;
        row.actor = there->actor;
        row.created_ms = there->created_ms;
        row.counted = there->counted;
    }
    bool found = false;
    size_t at = pw_mem_find(&m->bulks, compare_bulk, &row, &found);
    void *made = pw_mem_row_new(&bulk_shape, &row);
    bool good = found ? pw_mem_replace(m, &m->bulks, at, made) : pw_mem_put(m, &m->bulks, at, made);
    return good && put_failures(m, bulk, failures, count, first) ? PAWL_OK : pw_no_memory(err);
}

pawl_code pw_memory_bulk_set(pw_store *base, const pw_bulk *bulk, const pw_bulk_failure *failures,
                             size_t count, uint64_t first, bool *won, pawl_error *err)
{
    pawl_code code = pw_mem_begin(base, err);
    if (code != PAWL_OK)
        return code;
    code =
        pw_mem_end(base, set_bulk(pw_memory_of(base), bulk, failures, count, first, won, err), err);
    return code == PAWL_CONFLICT ? PAWL_OK : code;
}

bool pw_mem_bulk_forget(pw_memory *m, pw_str id)
{
    const failure from = { .bulk = id };
    bool found = false, good = true;
    for (size_t at = pw_mem_find(&m->bulk_failures, compare_failure, &from, &found);
         good && at < m->bulk_failures.count && pw_str_eq(((const failure *)m->bulk_failures.items[at])->bulk, id);)
        good = pw_mem_remove(m, &m->bulk_failures, at);
    for (size_t at = 0; good && at < m->bulks.count; at++)
        if (pw_str_eq(((const pw_bulk *)m->bulks.items[at])->id, id))
            return pw_mem_remove(m, &m->bulks, at);
    return good;
}

/* ---- reading */

/* Those of one, in the order in which they came. */
static void add_failures(const pw_memory *m, pw_str id, rows *out)
{
    const failure from = { .bulk = id };
    bool found = false;
    for (size_t at = pw_mem_find(&m->bulk_failures, compare_failure, &from, &found);
         at < m->bulk_failures.count; at++) {
        const failure *f = m->bulk_failures.items[at];
        if (!pw_str_eq(f->bulk, id))
            return;
        (void)add(out, &(pw_bulk_failure){ f->instance, f->code, f->message });
    }
}

pawl_code pw_memory_bulk_get(pw_store *base, pw_str id, pw_bulk *out, pw_bulk_failure **failures,
                             size_t *count, pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &given_shape, .arena = arena };
    pthread_mutex_lock(&m->lock);
    const pw_bulk *row = bulk_of(m, id);
    if (row)
        pw_mem_row_copy(&bulk_shape, out, row, arena);
    if (row && failures)
        add_failures(m, id, &r);
    pthread_mutex_unlock(&m->lock);
    if (!row)
        return pw_store_no_bulk(err, id);
    if (failures) {
        *failures = (pw_bulk_failure *)(void *)r.items;
        *count = r.count;
    }
    return arena->failed ? pw_no_memory(err) : PAWL_OK;
}

pawl_code pw_memory_bulks(pw_store *base, bool at_work, int64_t created_ms, pw_str id,
                          uint32_t limit, pw_bulk **out, size_t *count, pw_arena *arena,
                          pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    const pw_bulk behind = { .created_ms = created_ms, .id = id };
    rows r = { .shape = &bulk_shape, .arena = arena };
    bool found = false;
    pthread_mutex_lock(&m->lock);
    for (size_t at = pw_mem_find(&m->bulks, compare_bulk, &behind, &found);
         at > 0 && r.count < limit && !arena->failed; at--) {
        const pw_bulk *row = m->bulks.items[at - 1];
        if (!at_work || row->state == PW_BULK_RUNNING || row->page.len > 0)
            (void)add(&r, row);
    }
    return give(m, &r, out, count, err);
}
