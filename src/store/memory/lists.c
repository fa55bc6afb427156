/* lists.c - the memory store's rows, its sorted lists of them, and transactions on those. */
#include "store/memory/memory_internal.h"

/* ---- rows */

const pw_mem_shape pw_mem_definition_shape =
    SHAPE(pw_definition, IN(pw_definition, namespace_), IN(pw_definition, name),
          IN(pw_definition, version), IN(pw_definition, digest), IN(pw_definition, document));
const pw_mem_shape pw_mem_definition_row_shape =
    SHAPE(pw_definition_row, IN(pw_definition_row, definition.namespace_),
          IN(pw_definition_row, definition.name), IN(pw_definition_row, definition.version),
          IN(pw_definition_row, definition.digest));
const pw_mem_shape pw_mem_instance_shape = SHAPE(
    pw_instance_row, IN(pw_instance_row, id), IN(pw_instance_row, namespace_),
    IN(pw_instance_row, name), IN(pw_instance_row, version), IN(pw_instance_row, state),
    IN(pw_instance_row, business_key), IN(pw_instance_row, input_digest),
    IN(pw_instance_row, correlation), IN(pw_instance_row, labels), IN(pw_instance_row, parent),
    IN(pw_instance_row, output), IN(pw_instance_row, error), IN(pw_instance_row, trace));
const pw_mem_shape pw_mem_step_shape =
    SHAPE(pw_step_row, IN(pw_step_row, event), IN(pw_step_row, actor), IN(pw_step_row, correlation),
          IN(pw_step_row, entries), IN(pw_step_row, cause));
const pw_mem_shape pw_mem_payload_shape =
    SHAPE(pw_payload, IN(pw_payload, digest), IN(pw_payload, text));
const pw_mem_shape pw_mem_branch_shape = SHAPE(pw_branch_row, IN(pw_branch_row, state));
const pw_mem_shape pw_mem_bookmark_shape =
    SHAPE(pw_bookmark_row, IN(pw_bookmark_row, bookmark.task), IN(pw_bookmark_row, bookmark.key),
          IN(pw_bookmark_row, bookmark.assigned_to), IN(pw_bookmark_row, bookmark.candidates),
          IN(pw_bookmark_row, bookmark.message_type), IN(pw_bookmark_row, bookmark.payload),
          IN(pw_bookmark_row, by), IN(pw_bookmark_row, digest), IN(pw_bookmark_row, claimed_by));
const pw_mem_shape pw_mem_call_shape =
    SHAPE(pw_call_row, IN(pw_call_row, intent.task), IN(pw_call_row, intent.kind),
          IN(pw_call_row, intent.endpoint), IN(pw_call_row, intent.method),
          IN(pw_call_row, intent.request), IN(pw_call_row, intent.key), IN(pw_call_row, outcome));
const pw_mem_shape pw_mem_outbox_shape =
    SHAPE(pw_outbox_row, IN(pw_outbox_row, instance), IN(pw_outbox_row, event.id),
          IN(pw_outbox_row, event.type), IN(pw_outbox_row, event.source),
          IN(pw_outbox_row, event.payload));
const pw_mem_shape pw_mem_fault_shape =
    SHAPE(pw_fault_row, IN(pw_fault_row, fault.task), IN(pw_fault_row, fault.kind),
          IN(pw_fault_row, fault.error), IN(pw_fault_row, fault.class_),
          IN(pw_fault_row, fault.decision), IN(pw_fault_row, fault.action),
          IN(pw_fault_row, resolved_by), IN(pw_fault_row, resolution));
const pw_mem_shape pw_mem_inbox_shape =
    SHAPE(pw_inbox_row, IN(pw_inbox_row, target), IN(pw_inbox_row, key), IN(pw_inbox_row, kind),
          IN(pw_inbox_row, payload), IN(pw_inbox_row, actor), IN(pw_inbox_row, answer));

const pw_mem_shape pw_mem_message_shape =
    SHAPE(pw_message_row, IN(pw_message_row, source), IN(pw_message_row, id),
          IN(pw_message_row, type), IN(pw_message_row, actor), IN(pw_message_row, body));
const pw_mem_shape pw_mem_matcher_shape =
    SHAPE(pw_matcher_row, IN(pw_matcher_row, matcher.digest), IN(pw_matcher_row, matcher.type),
          IN(pw_matcher_row, matcher.parts));
const pw_mem_shape pw_mem_subscription_shape =
    SHAPE(pw_subscription_row, IN(pw_subscription_row, instance),
          IN(pw_subscription_row, subscription.matcher.digest),
          IN(pw_subscription_row, subscription.matcher.type),
          IN(pw_subscription_row, subscription.matcher.parts),
          IN(pw_subscription_row, subscription.hash));

const pw_mem_shape pw_mem_principal_shape =
    SHAPE(pw_principal, IN(pw_principal, id), IN(pw_principal, name), IN(pw_principal, digest),
          IN(pw_principal, roles), IN(pw_principal, groups), IN(pw_principal, note),
          IN(pw_principal, created_by), IN(pw_principal, revoked_by));

static pw_str *text_of(const pw_mem_shape *kind, void *row, size_t i)
{
    return (pw_str *)(void *)((char *)row + kind->texts[i]);
}

/* A copy of the row with its texts behind it, in one block; NULL: out of memory. */
void *pw_mem_row_new(const pw_mem_shape *kind, const void *from)
{
    union { /* the largest of them */
        pw_instance_row a;
        pw_call_row b;
        pw_bookmark_row c;
        pw_fault_row d;
    } scratch;
    PW_ASSERT(kind->size <= sizeof scratch);
    memcpy(&scratch, from, kind->size);
    size_t size = kind->size;
    for (size_t i = 0; i < kind->count; i++)
        size += text_of(kind, &scratch, i)->len;
    char *block = pw_alloc(size);
    if (!block)
        return NULL;
    char *at = block + kind->size;
    for (size_t i = 0; i < kind->count; i++) {
        pw_str *text = text_of(kind, &scratch, i);
        if (text->len > 0)
            memcpy(at, text->ptr, text->len);
        *text = text->len > 0 ? (pw_str){ at, text->len } : (pw_str){ "", 0 };
        at += text->len;
    }
    memcpy(block, &scratch, kind->size);
    return block;
}

/* Into the caller's memory; an arena that ran out is seen by the caller. */
void pw_mem_row_copy(const pw_mem_shape *kind, void *to, const void *from, pw_arena *arena)
{
    memcpy(to, from, kind->size);
    for (size_t i = 0; i < kind->count; i++) {
        pw_str *text = text_of(kind, to, i);
        *text = text->len > 0 ? pw_arena_str(arena, *text) : (pw_str){ "", 0 };
    }
}

/* ---- lists, and transactions on them */

void pw_mem_instance_free(pw_mem_instance *in)
{
    pw_mem_list *all[] = { &in->row,           &in->steps,     &in->payloads, &in->branches,
                           &in->bookmarks,     &in->calls,     &in->outbox,   &in->faults,
                           &in->subscriptions, &in->deliveries, &in->undo,
                           &in->undo_keys };
    for (size_t i = 0; i < PW_LENGTH(all); i++) {
        for (size_t j = 0; j < all[i]->count; j++)
            pw_free(all[i]->items[j]);
        pw_free(all[i]->items);
    }
    pw_free(in);
}

void pw_mem_item_free(pw_memory *m, const pw_mem_list *of, void *item)
{
    if (of == &m->instances)
        pw_mem_instance_free(item);
    else
        pw_free(item);
}

static bool grow(void **items, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return true;
    size_t larger = *room ? *room * 2 : 8;
    void *grown = pw_realloc(*items, larger * size);
    if (!grown)
        return false;
    *items = grown;
    *room = larger;
    return true;
}

static bool change_begin(pw_memory *m)
{
    void *items = m->changes;
    bool good = grow(&items, &m->change_room, m->change_count, sizeof *m->changes);
    m->changes = items;
    return good;
}

/* Puts an item (NULL: out of memory, all of these pass it on) at its place, and takes it over. */
bool pw_mem_put(pw_memory *m, pw_mem_list *to, size_t at, void *item)
{
    void *items = to->items;
    bool good = item && change_begin(m) && grow(&items, &to->room, to->count, sizeof *to->items);
    to->items = items;
    if (!good) {
        if (item)
            pw_mem_item_free(m, to, item);
        return false;
    }
    memmove(to->items + at + 1, to->items + at, (to->count - at) * sizeof *to->items);
    to->items[at] = item;
    to->count++;
    m->changes[m->change_count++] = (pw_mem_change){ to, at, NULL, false };
    m->counts.rows++;
    m->counts.statements++;
    return true;
}

bool pw_mem_replace(pw_memory *m, pw_mem_list *in, size_t at, void *item)
{
    if (!item || !change_begin(m)) {
        pw_free(item);
        return false;
    }
    m->changes[m->change_count++] = (pw_mem_change){ in, at, in->items[at], false };
    in->items[at] = item;
    m->counts.rows++;
    m->counts.statements++;
    return true;
}

bool pw_mem_remove(pw_memory *m, pw_mem_list *from, size_t at)
{
    if (!change_begin(m))
        return false;
    m->changes[m->change_count++] = (pw_mem_change){ from, at, from->items[at], true };
    from->count--;
    memmove(from->items + at, from->items + at + 1, (from->count - at) * sizeof *from->items);
    m->counts.rows++;
    m->counts.statements++;
    return true;
}

/* Back to when there were `mark` changes. */
void pw_mem_undo(pw_memory *m, size_t mark)
{
    while (m->change_count > mark) {
        pw_mem_change *c = &m->changes[--m->change_count];
        if (c->removed) { /* there is room: it was there before */
            memmove(c->list->items + c->at + 1, c->list->items + c->at,
                    (c->list->count - c->at) * sizeof *c->list->items);
            c->list->items[c->at] = c->old;
            c->list->count++;
            continue;
        }
        void *item = c->list->items[c->at];
        if (c->old) {
            c->list->items[c->at] = c->old;
        } else {
            c->list->count--;
            memmove(c->list->items + c->at, c->list->items + c->at + 1,
                    (c->list->count - c->at) * sizeof *c->list->items);
        }
        pw_mem_item_free(m, c->list, item);
    }
}

void pw_mem_keep(pw_memory *m)
{
    for (size_t i = 0; i < m->change_count; i++)
        if (m->changes[i].old)
            pw_mem_item_free(m, m->changes[i].list, m->changes[i].old);
    m->change_count = 0;
}

/* The place of the first item that is not below the key; *found: it is equal. */
size_t pw_mem_find(const pw_mem_list *in, int (*compare)(const void *item, const void *key),
                   const void *key, bool *found)
{
    size_t low = 0, high = in->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(in->items[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < in->count && compare(in->items[low], key) == 0;
    return low;
}

int pw_mem_by_number(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int pw_mem_compare_definition(const void *item, const void *key)
{
    const pw_definition *a = item, *b = key;
    int order = pw_str_cmp(a->namespace_, b->namespace_);
    order = order ? order : pw_str_cmp(a->name, b->name);
    return order ? order : pw_str_cmp(a->version, b->version);
}

int pw_mem_compare_instance(const void *item, const void *key)
{
    return pw_str_cmp(pw_mem_row_of(item)->id, *(const pw_str *)key);
}

int pw_mem_compare_bookmark(const void *item, const void *key)
{
    const pw_bookmark *a = &((const pw_bookmark_row *)item)->bookmark, *b = key;
    int order = pw_mem_by_number(a->visit, b->visit);
    return order ? order : pw_str_cmp(a->key, b->key);
}

int pw_mem_compare_call(const void *item, const void *key)
{
    return pw_str_cmp(((const pw_call_row *)item)->intent.key, *(const pw_str *)key);
}

int pw_mem_compare_outbox(const void *item, const void *key)
{
    const pw_outbox_row *row = item;
    const pw_mem_place *place = key;
    int64_t ordinal = 0;
    bool good = pw_outbox_ordinal(&ordinal, row->event.id, row->instance, row->sequence);
    PW_ASSERT(good);
    int order = pw_mem_by_number(row->sequence, place->step);
    return order ? order : (ordinal > place->ordinal) - (ordinal < place->ordinal);
}

int pw_mem_compare_inbox(const void *item, const void *key)
{
    const pw_inbox_row *a = item, *b = key;
    int order = pw_str_cmp(a->target, b->target);
    return order ? order : pw_str_cmp(a->key, b->key);
}

int pw_mem_compare_branch(const void *item, const void *key)
{
    const pw_branch_row *a = item, *b = key;
    int order = pw_mem_by_number(a->fork, b->fork);
    return order ? order : pw_mem_by_number(a->number, b->number);
}

int pw_mem_compare_payload(const void *item, const void *key)
{
    return pw_str_cmp(((const pw_payload *)item)->digest, *(const pw_str *)key);
}

pw_mem_instance *pw_mem_instance_of(const pw_memory *m, pw_str id)
{
    bool found = false;
    size_t at = pw_mem_find(&m->instances, pw_mem_compare_instance, &id, &found);
    return found ? m->instances.items[at] : NULL;
}
