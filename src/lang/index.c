/* index.c - names to numbers, for names of a document's author: anchors, keys, activities.
 *
 * Open addressing, at most half full. The seed differs from load to load, so that nobody can choose
 * names that all fall on one place; nothing depends on the order. */
#include "base/digest.h"
#include "lang/lang_internal.h"

struct pw_index_slot {
    pw_str key; /* ptr NULL: empty */
    uint32_t value;
};

static pw_index_slot *slot_of(const pw_index *index, pw_str key)
{
    uint64_t hash = pw_hash64((uintptr_t)index->slots, key.ptr, key.len);
    uint32_t at = (uint32_t)(hash ^ (hash >> 32)) & (index->size - 1);
    while (index->slots[at].key.ptr && !pw_str_eq(index->slots[at].key, key))
        at = (at + 1) & (index->size - 1);
    return &index->slots[at];
}

static void grow(pw_load *load, pw_index *index)
{
    pw_index old = *index;
    index->size = old.size ? old.size * 2 : 16;
    index->slots = PW_NEW_ARRAY(&load->scratch, pw_index_slot, index->size);
    for (uint32_t i = 0; i < old.size; i++) {
        if (old.slots[i].key.ptr)
            *slot_of(index, old.slots[i].key) = old.slots[i];
    }
}

bool pw_index_add(pw_load *load, pw_index *index, pw_str key, uint32_t value, uint32_t *first)
{
    if (!key.ptr)
        key.ptr = "";
    if ((index->count + 1) * 2 > index->size)
        grow(load, index);
    pw_index_slot *slot = slot_of(index, key);
    if (slot->key.ptr) {
        *first = slot->value;
        return false;
    }
    *slot = (pw_index_slot){ key, value };
    index->count++;
    return true;
}

uint32_t *pw_index_find(const pw_index *index, pw_str key)
{
    if (index->size == 0)
        return NULL;
    if (!key.ptr)
        key.ptr = "";
    pw_index_slot *slot = slot_of(index, key);
    return slot->key.ptr ? &slot->value : NULL;
}
