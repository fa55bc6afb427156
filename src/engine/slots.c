/* slots.c - what a shard knows of its instances: a hash table by id, and a heap by time. The heap
 * is as large as the table, so that a known instance can always get a timer. */
#include "engine/shard.h"

static uint64_t hash_of(const char *id)
{
    return pw_hash64(1, id, PW_ID_LENGTH);
}

enum { FIRST_BUCKETS = 256 };

static bool grow_table(pw_shard *shard)
{
    size_t count = shard->bucket_count ? shard->bucket_count * 2 : FIRST_BUCKETS;
    pw_slot **buckets = pw_zalloc(count * sizeof *buckets);
    if (!buckets)
        return shard->bucket_count > 0; /* longer chains will do */
    for (size_t i = 0; i < shard->bucket_count; i++)
        for (pw_slot *slot = shard->buckets[i], *next = NULL; slot; slot = next) {
            next = slot->next;
            pw_slot **bucket = &buckets[hash_of(slot->id) & (count - 1)];
            slot->next = *bucket;
            *bucket = slot;
        }
    pw_free(shard->buckets);
    shard->buckets = buckets;
    shard->bucket_count = count;
    return true;
}

static bool grow_heap(pw_shard *shard)
{
    size_t size = shard->heap_size ? shard->heap_size * 2 : FIRST_BUCKETS;
    pw_slot **heap = pw_realloc(shard->heap, size * sizeof(pw_slot *));
    if (!heap)
        return false;
    shard->heap = heap;
    shard->heap_size = size;
    return true;
}

pw_slot *pw_slot_find(const pw_shard *shard, pw_str id)
{
    if (id.len != PW_ID_LENGTH || shard->bucket_count == 0)
        return NULL;
    pw_slot *slot = shard->buckets[hash_of(id.ptr) & (shard->bucket_count - 1)];
    while (slot && memcmp(slot->id, id.ptr, PW_ID_LENGTH) != 0)
        slot = slot->next;
    return slot;
}

pw_slot *pw_slot_get(pw_shard *shard, pw_str id)
{
    PW_ASSERT(id.len == PW_ID_LENGTH);
    pw_slot *slot = pw_slot_find(shard, id);
    if (slot)
        return slot;
    if (shard->slot_count >= shard->bucket_count && !grow_table(shard))
        return NULL;
    if (shard->slot_count >= shard->heap_size && !grow_heap(shard))
        return NULL;
    slot = pw_zalloc(sizeof *slot);
    if (!slot)
        return NULL;
    slot->partition = pw_store_partition(id) & 0x7f;
    slot->due = PW_WAKE_NEVER;
    memcpy(slot->id, id.ptr, PW_ID_LENGTH);
    pw_slot **bucket = &shard->buckets[hash_of(slot->id) & (shard->bucket_count - 1)];
    slot->next = *bucket;
    *bucket = slot;
    shard->slot_count++;
    return slot;
}

void pw_slot_drop(pw_shard *shard, pw_slot *slot)
{
    if (slot->loaded || slot->heap_at || slot->of.watchers)
        return;
    pw_slot **at = &shard->buckets[hash_of(slot->id) & (shard->bucket_count - 1)];
    while (*at != slot)
        at = &(*at)->next;
    *at = slot->next;
    shard->slot_count--;
    pw_free(slot);
}

pw_live *pw_slot_live(const pw_slot *slot)
{
    return slot->loaded ? slot->of.live : NULL;
}

pawl_watch **pw_slot_watchers(pw_slot *slot)
{
    return slot->loaded ? &slot->of.live->watchers : &slot->of.watchers;
}

void pw_slot_set_live(pw_slot *slot, pw_live *live)
{
    pawl_watch *watchers = *pw_slot_watchers(slot);
    *pw_slot_watchers(slot) = NULL;
    slot->loaded = live != NULL;
    slot->of.live = live;
    *pw_slot_watchers(slot) = watchers;
}

/* ------------------------------------------------------------------ the heap */

static bool earlier(const pw_slot *a, const pw_slot *b)
{
    return a->due != b->due ? a->due < b->due : memcmp(a->id, b->id, PW_ID_LENGTH) < 0;
}

static void place(pw_shard *shard, pw_slot *slot, size_t at)
{
    shard->heap[at] = slot;
    slot->heap_at = (uint32_t)at + 1;
}

static void up(pw_shard *shard, size_t at)
{
    pw_slot *slot = shard->heap[at];
    while (at > 0 && earlier(slot, shard->heap[(at - 1) / 2])) {
        place(shard, shard->heap[(at - 1) / 2], at);
        at = (at - 1) / 2;
    }
    place(shard, slot, at);
}

static void down(pw_shard *shard, size_t at)
{
    pw_slot *slot = shard->heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= shard->heap_count)
            break;
        if (child + 1 < shard->heap_count && earlier(shard->heap[child + 1], shard->heap[child]))
            child++;
        if (!earlier(shard->heap[child], slot))
            break;
        place(shard, shard->heap[child], at);
        at = child;
    }
    place(shard, slot, at);
}

static void take_out(pw_shard *shard, pw_slot *slot)
{
    size_t at = slot->heap_at - 1;
    pw_slot *last = shard->heap[--shard->heap_count];
    slot->heap_at = 0;
    slot->due = PW_WAKE_NEVER;
    if (last == slot)
        return;
    place(shard, last, at);
    up(shard, at);
    down(shard, last->heap_at - 1);
}

void pw_slot_timer(pw_shard *shard, pw_slot *slot, int64_t due)
{
    if (slot->heap_at && slot->due == due)
        return;
    if (slot->heap_at)
        take_out(shard, slot);
    if (due == PW_WAKE_NEVER)
        return;
    PW_ASSERT(shard->heap_count < shard->heap_size);
    slot->due = due;
    shard->heap[shard->heap_count++] = slot;
    place(shard, slot, shard->heap_count - 1);
    up(shard, shard->heap_count - 1);
}

pw_slot *pw_slot_due(pw_shard *shard, int64_t now_ms)
{
    if (shard->heap_count == 0 || shard->heap[0]->due > now_ms)
        return NULL;
    pw_slot *slot = shard->heap[0];
    take_out(shard, slot);
    return slot;
}
