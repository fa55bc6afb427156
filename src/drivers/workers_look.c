/* workers_look.c - what is on the board, for people. Nothing here changes it, and no lock is held
 * for long: a million tickets are looked at some thousand at a time. */
#include <stdlib.h>
#include "drivers/workers_internal.h"

enum { AT_ONCE = 4096 }; /* tickets that are looked at under the lock */

/* ------------------------------------------------------------------ functions */

static void copy_function(pw_function_row *out, const pw_board *b, const function *f,
                          pw_arena *arena)
{
    const limit *l = f->limited ? &f->limit : &b->common;
    *out = (pw_function_row){
        .name = pw_arena_str(arena, f->name->text),
        .ready = f->counts[TICKET_READY] + f->counts[TICKET_LATER],
        .leased = f->counts[TICKET_TAKEN] + f->counts[TICKET_LEASED] + f->counts[TICKET_ENDING],
        .unsure = f->counts[TICKET_UNSURE],
        .parked = f->counts[TICKET_PARKED],
        .polls = f->polls,
        .at_once = l->at_once,
        .per_second = l->per_second,
    };
}

static int by_name(const void *a, const void *b)
{
    return pw_str_cmp(((const pw_function_row *)a)->name, ((const pw_function_row *)b)->name);
}

pawl_code pw_board_functions(pw_board *b, pw_str name, pw_function_row **out, size_t *count,
                             pw_arena *arena, pawl_error *err)
{
    size_t most = 0;
    *count = 0;
    (void)pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < FUNCTION_BUCKETS; i++)
        for (const function *f = b->functions[i]; f; f = f->next)
            most++;
    pw_function_row *rows = PW_NEW_ARRAY(arena, pw_function_row, most + 1);
    for (size_t i = 0; i < FUNCTION_BUCKETS && rows; i++)
        for (const function *f = b->functions[i]; f; f = f->next)
            if (name.len == 0 || pw_str_eq(f->name->text, name))
                copy_function(&rows[(*count)++], b, f, arena);
    (void)pthread_mutex_unlock(&b->lock);
    if (arena->failed)
        return pw_no_memory(err);
    if (*count > 1)
        qsort(rows, *count, sizeof *rows, by_name);
    *out = rows;
    return PAWL_OK;
}

/* ------------------------------------------------------------------ tickets
 *
 * In order of their tables, then of their hashes with the bits turned round: a table that grows
 * splits each bucket into two that follow each other in this order, so that a place in it stays a
 * place. */

static uint64_t turned(uint64_t x)
{
    uint64_t out = 0;
    for (int i = 0; i < 64; i++, x >>= 1)
        out = out << 1 | (x & 1);
    return out;
}

static uint64_t order_of(const pw_ticket *t)
{
    return turned(pw_board_hash((pw_str){ t->instance, sizeof t->instance }, t->visit));
}

static bool is_wanted(const pw_ticket *t, const pw_ticket_filter *filter)
{
    const lane *l = t->level->lane;
    if (filter->function.len && !pw_str_eq(l->function->name->text, filter->function))
        return false;
    if (filter->instance.len &&
        !pw_str_eq((pw_str){ t->instance, sizeof t->instance }, filter->instance))
        return false;
    bool named = !filter->namespaces;
    for (size_t i = 0; i < filter->namespace_count && !named; i++)
        named = pw_str_eq(l->namespace_->text, filter->namespaces[i]);
    return named;
}

static const char *state_name(const pw_ticket *t)
{
    switch ((ticket_state)t->state) {
    case TICKET_READY:
    case TICKET_LATER:
        return t->unsure ? "unsure" : "ready";
    case TICKET_UNSURE:
        return "unsure";
    case TICKET_PARKED:
        return "parked";
    case TICKET_TAKEN:
    case TICKET_LEASED:
    case TICKET_ENDING:
    case TICKET_NEW:
    case TICKET_STATES:
        break;
    }
    return "leased";
}

static void copy_ticket(pw_ticket_row *out, const pw_ticket *t, uint64_t now_ns, pw_arena *arena)
{
    const pw_level *level = t->level;
    const pw_lease *lease =
        t->state == TICKET_LEASED || t->state == TICKET_ENDING ? t->by.lease : NULL;
    *out = (pw_ticket_row){
        .instance = pw_arena_str(arena, (pw_str){ t->instance, sizeof t->instance }),
        .function = pw_arena_str(arena, level->lane->function->name->text),
        .namespace_ = pw_arena_str(arena, level->lane->namespace_->text),
        .task = pw_arena_str(arena, t->task->text),
        .visit = t->visit,
        .attempt = t->attempt,
        .priority = level->priority,
        .state = state_name(t),
        .since_ms = t->since_ms,
        .leased = lease != NULL,
        .table = t->table,
        .cursor = order_of(t),
    };
    if (!lease)
        return;
    out->worker = pw_arena_str(arena, lease->worker->text);
    out->progress = pw_arena_str(arena, (pw_str){ lease->progress, lease->progress_length });
    if (t->timer.due_ns > now_ns)
        out->left_ms = (t->timer.due_ns - now_ns) / 1000000;
    else
        out->over_ms = (now_ns - t->timer.due_ns) / 1000000;
}

/* Where a look goes on. */
typedef struct look {
    const pw_ticket_filter *filter;
    uint32_t table;
    uint64_t after; /* in order of hashes: behind this one */
    bool begun;     /* ... else from the first of the table */
    pw_ticket_row *rows;
    size_t count;
    bool more;
    pw_arena *arena;
} look;

/* The lowest ticket of the bucket that is behind. A bucket holds few. */
static const pw_ticket *next_of(const pw_ticket *bucket, const look *at)
{
    const pw_ticket *lowest = NULL;
    for (const pw_ticket *t = bucket; t; t = t->chain)
        if ((!at->begun || order_of(t) > at->after) && (!lowest || order_of(t) < order_of(lowest)))
            lowest = t;
    return lowest;
}

/* Up to AT_ONCE tickets of one table. True: it is through. */
static bool look_at(const pw_board *b, look *at, uint64_t now_ns)
{
    const ticket_table *table = &b->tables[at->table];
    unsigned bits = (unsigned)__builtin_ctzll(table->bucket_count);
    uint64_t i = at->begun ? at->after >> (64 - bits) : 0;
    uint32_t seen = 0;
    for (; i < table->bucket_count && seen < AT_ONCE; i++) {
        const pw_ticket *bucket = table->buckets[turned(i) >> (64 - bits)];
        for (const pw_ticket *t; (t = next_of(bucket, at)) != NULL; seen++) {
            if (is_wanted(t, at->filter)) {
                at->more = at->count == at->filter->limit;
                if (at->more)
                    return true;
                copy_ticket(&at->rows[at->count++], t, now_ns, at->arena);
            }
            at->after = order_of(t);
            at->begun = true;
        }
        if (i + 1 < table->bucket_count && bits > 0) { /* nothing of this bucket comes again */
            at->after = ((i + 1) << (64 - bits)) - 1;
            at->begun = true;
        }
    }
    return i == table->bucket_count;
}

pawl_code pw_board_tickets(pw_board *b, const pw_ticket_filter *filter, pw_ticket_row **out,
                           size_t *count, bool *more, pw_arena *arena, pawl_error *err)
{
    look at = { .filter = filter,
                .table = filter->table,
                .after = filter->cursor,
                .begun = filter->table > 0 || filter->cursor > 0,
                .rows = PW_NEW_ARRAY(arena, pw_ticket_row, filter->limit),
                .arena = arena };
    if (!at.rows)
        return pw_no_memory(err);
    uint32_t last = PW_BOARD_TABLES - 1;
    if (filter->instance.len) {
        at.begun = at.begun && filter->table == filter->instance_table;
        at.table = last = filter->instance_table;
    }
    while (at.table <= last && !at.more) {
        (void)pthread_mutex_lock(&b->lock);
        bool through = look_at(b, &at, b->hooks.now_ns(b->hooks.context));
        (void)pthread_mutex_unlock(&b->lock);
        if (!through || at.more)
            continue;
        at.table++;
        at.begun = false;
    }
    if (arena->failed)
        return pw_no_memory(err);
    *out = at.rows;
    *count = at.count;
    *more = at.more;
    return PAWL_OK;
}

bool pw_board_ticket(pw_board *b, pw_str instance, uint32_t table, uint64_t visit,
                     pw_ticket_row *out, pw_arena *arena)
{
    (void)pthread_mutex_lock(&b->lock);
    const pw_ticket *t = pw_board_find(b, instance, table, visit);
    if (t)
        copy_ticket(out, t, b->hooks.now_ns(b->hooks.context), arena);
    (void)pthread_mutex_unlock(&b->lock);
    return t != NULL;
}
