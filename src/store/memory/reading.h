/* reading.h - what is in the memory store, copied into the caller's arena. */
#ifndef PW_MEMORY_READING_H
#define PW_MEMORY_READING_H

#include "store/memory/memory_internal.h"

typedef struct rows {
    const pw_mem_shape *shape;
    pw_arena *arena;
    char *items;
    size_t count, room;
} rows;

static inline void *add(rows *out, const void *row)
{
    if (out->count == out->room) {
        size_t room = out->room ? out->room * 2 : 16;
        out->items = pw_arena_grow(out->arena, out->items, out->room * out->shape->size,
                                   room * out->shape->size);
        if (!out->items) {
            out->count = out->room = 0;
            return NULL;
        }
        out->room = room;
    }
    void *item = out->items + out->count++ * out->shape->size;
    pw_mem_row_copy(out->shape, item, row, out->arena);
    return item;
}

/* Gives the lock back and the rows out. */
static inline pawl_code give(pw_memory *m, rows *from, void *out, size_t *count, pawl_error *err)
{
    pthread_mutex_unlock(&m->lock);
    if (from->arena->failed)
        return pw_no_memory(err);
    memcpy(out, &from->items, sizeof from->items);
    *count = from->count;
    return PAWL_OK;
}

/* One row, or NULL: not found. */
static inline pawl_code give_one(pw_memory *m, const pw_mem_shape *kind, void *out, const void *row,
                                 const char *what, pw_str key, pw_arena *arena, pawl_error *err)
{
    if (row)
        pw_mem_row_copy(kind, out, row, arena);
    pthread_mutex_unlock(&m->lock);
    if (!row)
        return pw_store_not_found(err, what, key);
    return arena->failed ? pw_no_memory(err) : PAWL_OK;
}

/* None are all. */
static inline bool one_of(const pw_str *texts, size_t count, pw_str text)
{
    bool found = count == 0;
    for (size_t i = 0; i < count && !found; i++)
        found = pw_str_eq(texts[i], text);
    return found;
}

static inline bool among(uint64_t partitions, pw_str instance)
{
    return partitions >> pw_store_partition(instance) & 1;
}
#endif
