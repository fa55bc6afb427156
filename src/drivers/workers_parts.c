/* workers_parts.c - what the board is made of: a heap of timers, names that are counted, the places
 * where tickets and polls wait, and the tables where tickets are found. */
#include "drivers/workers_internal.h"
#include "base/digest.h"

/* ------------------------------------------------------------------ timers */

static void timer_place(pw_board *b, pw_board_timer *timer, uint32_t at)
{
    b->heap[at] = timer;
    timer->at = at + 1;
}

static void timer_fix(pw_board *b, uint32_t at)
{
    pw_board_timer *timer = b->heap[at];
    while (at > 0 && b->heap[(at - 1) / 2]->due_ns > timer->due_ns) {
        timer_place(b, b->heap[(at - 1) / 2], at);
        at = (at - 1) / 2;
    }
    for (uint32_t child; (child = 2 * at + 1) < b->heap_count; at = child) {
        if (child + 1 < b->heap_count && b->heap[child + 1]->due_ns < b->heap[child]->due_ns)
            child++;
        if (b->heap[child]->due_ns >= timer->due_ns)
            break;
        timer_place(b, b->heap[child], at);
    }
    timer_place(b, timer, at);
}

void pw_board_timer_stop(pw_board *b, pw_board_timer *timer)
{
    if (!timer->at)
        return;
    uint32_t at = timer->at - 1;
    pw_board_timer *last = b->heap[--b->heap_count];
    timer->at = 0;
    if (last == timer)
        return;
    timer_place(b, last, at);
    timer_fix(b, at);
}

void pw_board_timer_set(pw_board *b, pw_board_timer *timer, uint64_t due_ns)
{
    timer->due_ns = due_ns;
    if (!timer->at) {
        PW_ASSERT(b->heap_count < b->heap_size);
        timer_place(b, timer, b->heap_count++);
    }
    timer_fix(b, timer->at - 1);
}

/* Room in the heap for one more. */
bool pw_board_timer_reserve(pw_board *b)
{
    if (b->timers == b->heap_size) {
        uint32_t size = b->heap_size ? b->heap_size * 2 : 64;
        pw_board_timer **heap =
            size > b->heap_size ? pw_realloc(b->heap, size * sizeof *heap) : NULL;
        if (!heap)
            return false;
        b->heap = heap;
        b->heap_size = size;
    }
    b->timers++;
    return true;
}

/* ------------------------------------------------------------------ names, functions, lanes,
 * levels */

pw_name *pw_board_name_get(pw_board *b, pw_str text)
{
    pw_name **bucket = &b->names[pw_hash64(1, text.ptr, text.len) % NAME_BUCKETS];
    for (pw_name *name = *bucket; name; name = name->next)
        if (pw_str_eq(name->text, text)) {
            name->refs++;
            return name;
        }
    pw_name *name = pw_alloc(sizeof *name + text.len);
    if (!name)
        return NULL;
    *name = (pw_name){ .next = *bucket, .refs = 1, .text = { (char *)(name + 1), text.len } };
    if (text.len)
        memcpy(name + 1, text.ptr, text.len);
    *bucket = name;
    return name;
}

void pw_board_name_put(pw_board *b, pw_name *name)
{
    if (!name || --name->refs > 0)
        return;
    pw_name **at = &b->names[pw_hash64(1, name->text.ptr, name->text.len) % NAME_BUCKETS];
    while (*at != name)
        at = &(*at)->next;
    *at = name->next;
    pw_free(name);
}

static function **function_bucket(pw_board *b, pw_str name)
{
    return &b->functions[pw_hash64(2, name.ptr, name.len) % FUNCTION_BUCKETS];
}

function *pw_board_function(pw_board *b, pw_str name)
{
    function *f = *function_bucket(b, name);
    while (f && !pw_str_eq(f->name->text, name))
        f = f->next;
    return f;
}

void pw_board_function_put(pw_board *b, function *f)
{
    if (!f || --f->refs > 0)
        return;
    PW_ASSERT(!f->lanes && !f->line.first && !f->limited);
    function **at = function_bucket(b, f->name->text);
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    pw_board_timer_stop(b, &f->timer);
    b->timers--;
    pw_board_name_put(b, f->name);
    pw_free(f);
}

function *pw_board_function_get(pw_board *b, pw_str name)
{
    function *f = pw_board_function(b, name);
    if (f) {
        f->refs++;
        return f;
    }
    if (!pw_board_timer_reserve(b))
        return NULL;
    f = pw_zalloc(sizeof *f);
    if (f)
        f->name = pw_board_name_get(b, name);
    if (!f || !f->name) {
        b->timers--;
        pw_free(f);
        return NULL;
    }
    f->timer.kind = TIMER_FUNCTION;
    f->refs = 1;
    function **bucket = function_bucket(b, name);
    f->next = *bucket;
    *bucket = f;
    return f;
}

void pw_board_lane_put(pw_board *b, lane *l)
{
    if (!l || --l->refs > 0)
        return;
    PW_ASSERT(!l->levels && !l->line.first);
    function *f = l->function;
    lane **at = &f->lanes;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    pw_board_name_put(b, l->namespace_);
    pw_free(l);
    pw_board_function_put(b, f);
}

lane *pw_board_lane_get(pw_board *b, pw_str function_name, pw_str namespace_)
{
    function *f = pw_board_function_get(b, function_name);
    for (lane *l = f ? f->lanes : NULL; l; l = l->next)
        if (pw_str_eq(l->namespace_->text, namespace_)) {
            pw_board_function_put(b, f); /* the lane has one */
            l->refs++;
            return l;
        }
    lane *l = f ? pw_zalloc(sizeof *l) : NULL;
    if (l)
        l->namespace_ = pw_board_name_get(b, namespace_);
    if (!l || !l->namespace_) {
        pw_free(l);
        pw_board_function_put(b, f);
        return NULL;
    }
    l->refs = 1;
    l->function = f;
    l->next = f->lanes;
    f->lanes = l;
    return l;
}

void pw_board_level_put(pw_board *b, pw_level *level)
{
    if (!level || --level->refs > 0)
        return;
    lane *l = level->lane;
    pw_level **at = &l->levels;
    while (*at != level)
        at = &(*at)->lower;
    *at = level->lower;
    pw_free(level);
    pw_board_lane_put(b, l);
}

pw_level *pw_board_level_get(pw_board *b, pw_str function_name, pw_str namespace_, int32_t priority)
{
    lane *l = pw_board_lane_get(b, function_name, namespace_);
    if (!l)
        return NULL;
    pw_level **at = &l->levels;
    while (*at && (*at)->priority > priority)
        at = &(*at)->lower;
    if (*at && (*at)->priority == priority) {
        pw_board_lane_put(b, l); /* the level has one */
        (*at)->refs++;
        return *at;
    }
    pw_level *level = pw_zalloc(sizeof *level);
    if (!level) {
        pw_board_lane_put(b, l);
        return NULL;
    }
    *level = (pw_level){ .lower = *at, .lane = l, .priority = priority, .refs = 1 };
    *at = level;
    return level;
}

/* ------------------------------------------------------------------ the tables */

uint64_t pw_board_hash(pw_str instance, uint64_t visit)
{
    return pw_hash64(visit, instance.ptr, instance.len);
}

static pw_ticket **bucket_of(ticket_table *table, pw_str instance, uint64_t visit)
{
    return &table->buckets[pw_board_hash(instance, visit) & (table->bucket_count - 1)];
}

pw_ticket *pw_board_find(const pw_board *b, pw_str instance, uint32_t table, uint64_t visit)
{
    const ticket_table *tickets = &b->tables[table];
    if (instance.len != PW_INSTANCE_ID_LENGTH)
        return NULL;
    pw_ticket *t = tickets->buckets[pw_board_hash(instance, visit) & (tickets->bucket_count - 1)];
    while (t && (t->visit != visit || memcmp(t->instance, instance.ptr, sizeof t->instance) != 0))
        t = t->chain;
    return t;
}

/* Longer chains will do if there is no memory. */
static void table_grow(ticket_table *table)
{
    size_t count = table->bucket_count * 2;
    pw_ticket **buckets = pw_zalloc(count * sizeof *buckets);
    if (!buckets)
        return;
    for (size_t i = 0; i < table->bucket_count; i++)
        for (pw_ticket *t = table->buckets[i], *next = NULL; t; t = next) {
            next = t->chain;
            pw_ticket **bucket = &buckets[pw_board_hash(instance_of(t), t->visit) & (count - 1)];
            t->chain = *bucket;
            *bucket = t;
        }
    if (table->buckets != table->first)
        pw_free(table->buckets);
    table->buckets = buckets;
    table->bucket_count = count;
}

void pw_board_table_add(pw_board *b, pw_ticket *t)
{
    ticket_table *table = &b->tables[t->table];
    if (table->count >= table->bucket_count)
        table_grow(table);
    pw_ticket **bucket = bucket_of(table, instance_of(t), t->visit);
    t->chain = *bucket;
    *bucket = t;
    table->count++;
}

void pw_board_table_remove(pw_board *b, pw_ticket *t)
{
    ticket_table *table = &b->tables[t->table];
    pw_ticket **at = bucket_of(table, instance_of(t), t->visit);
    while (*at != t)
        at = &(*at)->chain;
    *at = t->chain;
    table->count--;
}
