/* instances.c - finding, counting and deleting instances of the memory store. */
#include <stdlib.h>

#include "store/memory/reading.h"

/* ---- one */

static pw_str branches_of(const pw_mem_instance *in, pw_arena *arena)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (size_t i = 0; i < in->branches.count; i++) {
        const pw_branch_row *row = in->branches.items[i];
        pw_buf_printf(&buf, "%c[%llu,%u,", i == 0 ? '[' : ',', (unsigned long long)row->fork,
                      row->number);
        pw_buf_str(&buf, row->state);
        pw_buf_char(&buf, ']');
    }
    if (in->branches.count)
        pw_buf_char(&buf, ']');
    pw_str text = { "", 0 };
    if (buf.failed)
        (void)pw_arena_fail(arena, false);
    else if (buf.len)
        text = pw_arena_str(arena, pw_buf_view(&buf));
    pw_buf_done(&buf);
    return text;
}

pawl_code pw_memory_instance_get(pw_store *base, pw_str id, bool with_state, pw_instance_row *out,
                                 pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    pthread_mutex_lock(&m->lock);
    const pw_mem_instance *in = pw_mem_instance_of(m, id);
    pw_instance_row row;
    if (in) {
        row = *pw_mem_row_of(in);
        if (with_state)
            row.branches = branches_of(in, arena);
        else
            row.state = (pw_str){ "", 0 };
    }
    return give_one(m, &pw_mem_instance_shape, out, in ? &row : NULL, "instance", id, arena, err);
}

/* ---- what a filter lets through */

bool pw_mem_labels_good(pw_commit_item *item)
{
    pw_arena arena;
    pw_label *labels = NULL;
    size_t count = 0;
    pw_arena_init(&arena, 0);
    bool good = pw_store_labels(&labels, &count, item, &arena);
    pw_arena_done(&arena);
    return good;
}

static bool has_label(const pw_label *labels, size_t count, const pw_label *wanted)
{
    bool has = false;
    for (size_t i = 0; i < count && !has; i++)
        has = pw_str_eq(labels[i].name, wanted->name) && pw_str_eq(labels[i].value, wanted->value);
    return has;
}

/* The labels were good when they were stored; so there are none only where memory ran out. */
bool pw_mem_has_labels(const pw_instance_row *row, const pw_label *wanted, size_t wanted_count,
                       pw_arena *arena)
{
    const pw_instance_new created = { .labels = row->labels };
    pw_commit_item item = { .create = &created };
    pw_label *labels = NULL;
    size_t count = 0;
    bool has = wanted_count == 0 || pw_store_labels(&labels, &count, &item, arena);
    for (size_t i = 0; has && i < wanted_count; i++)
        has = has_label(labels, count, &wanted[i]);
    return has;
}

static bool is_any_or(pw_str wanted, pw_str is)
{
    return wanted.len == 0 || pw_str_eq(wanted, is);
}

static bool lets_through(const pw_instance_filter *filter, const pw_instance_row *row,
                         pw_arena *arena)
{
    return row->schedule == filter->schedules &&
           (!filter->by_status || row->status == filter->status) &&
           !(filter->living && pw_status_ended(row->status)) &&
           is_any_or(filter->parent, row->parent) &&
           is_any_or(filter->namespace_, row->namespace_) && is_any_or(filter->name, row->name) &&
           is_any_or(filter->business_key, row->business_key) &&
           is_any_or(filter->correlation, row->correlation) &&
           one_of(filter->namespaces, filter->namespace_count, row->namespace_) &&
           pw_mem_has_labels(row, filter->labels, filter->label_count, arena);
}

static int newest_first(const void *a, const void *b)
{
    const pw_instance_row *x = a, *y = b;
    if (x->created_ms != y->created_ms)
        return x->created_ms > y->created_ms ? -1 : 1;
    return pw_str_cmp(y->id, x->id);
}

pawl_code pw_memory_instance_list(pw_store *base, const pw_instance_filter *filter,
                                  int64_t created_ms, pw_str id, uint32_t limit,
                                  pw_instance_row **out, size_t *count, pw_arena *arena,
                                  pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &pw_mem_instance_shape, .arena = arena };
    pw_instance_row place = { .created_ms = created_ms, .id = id };
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->instances.count; i++) {
        pw_instance_row row = *pw_mem_row_of(m->instances.items[i]);
        if (newest_first(&place, &row) >= 0 || !lets_through(filter, &row, arena))
            continue;
        row.state = (pw_str){ "", 0 };
        (void)add(&r, &row);
    }
    if (r.count > 1)
        qsort(r.items, r.count, sizeof(pw_instance_row), newest_first);
    r.count = r.count > limit ? limit : r.count;
    return give(m, &r, out, count, err);
}

pawl_code pw_memory_instance_count(pw_store *base, const pw_instance_filter *filter,
                                   uint64_t *counts, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->instances.count; i++) {
        const pw_instance_row *row = pw_mem_row_of(m->instances.items[i]);
        counts[row->status] += lets_through(filter, row, &arena);
    }
    pthread_mutex_unlock(&m->lock);
    bool failed = arena.failed;
    pw_arena_done(&arena);
    return failed ? pw_no_memory(err) : PAWL_OK;
}

/* ---- deleting */

/* Rows of the inbox are in the order of their targets. */
bool pw_mem_inbox_forget(pw_memory *m, pw_str id)
{
    const pw_inbox_row first = { .target = id, .key = { "", 0 } };
    bool found = false, good = true;
    size_t at = pw_mem_find(&m->inbox, pw_mem_compare_inbox, &first, &found);
    while (good && at < m->inbox.count &&
           pw_str_eq(((const pw_inbox_row *)m->inbox.items[at])->target, id))
        good = pw_mem_remove(m, &m->inbox, at);
    return good;
}

static pawl_code delete_instance(pw_memory *m, pw_str id, uint64_t token, pawl_error *err)
{
    bool found = false;
    size_t at = pw_mem_find(&m->instances, pw_mem_compare_instance, &id, &found);
    if (!found)
        return pw_store_not_found(err, "instance", id);
    pw_mem_instance *in = m->instances.items[at];
    const pw_instance_row *row = pw_mem_row_of(in);
    if (token != 0 && token != row->token)
        return pw_store_moved_on(err, id, token);
    if (!pw_status_ended(row->status))
        return pw_store_not_ended(err, id);
    if (pw_mem_fault_is_open(in))
        return pw_store_open_incident(err, id);
    if (pw_mem_publish_left(m, id))
        return pw_store_unpublished(err, id);
    bool good = pw_mem_deliveries_forget(m, in) && pw_mem_inbox_forget(m, id) &&
                pw_mem_publish_forget(m, id) && pw_mem_remove(m, &m->instances, at);
    return good ? PAWL_OK : pw_no_memory(err);
}

pawl_code pw_memory_instance_delete(pw_store *base, pw_str id, uint64_t token, pawl_error *err)
{
    pawl_code code = pw_mem_begin(base, err);
    if (code != PAWL_OK)
        return code;
    return pw_mem_end(base, delete_instance(pw_memory_of(base), id, token, err), err);
}
