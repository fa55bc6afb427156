/* clean.c - what all stores have in common about what is old, and about room: names, what is refused, and which payloads a
 * text names. */
#include <stdlib.h>

#include "store/store_internal.h"

static const char *const kinds[PW_CLEAN_KINDS] = { [PW_CLEAN_INSTANCES] = "instances",
                                                   [PW_CLEAN_EVENTS] = "events",
                                                   [PW_CLEAN_STEPS] = "steps",
                                                   [PW_CLEAN_BULKS] = "bulks",
                                                   [PW_CLEAN_BREAKERS] = "breakers" };

const char *pw_clean_kind_name(pw_clean_kind kind)
{
    PW_ASSERT((unsigned)kind < PW_LENGTH(kinds));
    return kinds[kind];
}

pawl_code pw_store_clean(pw_store *store, pw_clean *clean, pawl_error *err)
{
    PW_STORE_TIMED(store, CLEAN);
    if ((unsigned)clean->kind >= PW_CLEAN_KINDS)
        return pw_fail(err, PAWL_INVALID, "there is no kind %d of what is old", (int)clean->kind);
    if (clean->most < 1 || clean->most > PW_CLEAN_MOST)
        return pw_fail(err, PAWL_INVALID, "one transaction cleans up 1 to %u rows, not %u", PW_CLEAN_MOST, clean->most);
    clean->rows = clean->found = 0;
    clean->more = false;
    return store->ops->clean(store, clean, err);
}

pawl_code pw_store_vacuum(pw_store *store, uint32_t pages, uint64_t *given, uint64_t *left, pawl_error *err)
{
    PW_STORE_TIMED(store, CLEAN);
    *given = *left = 0;
    return store->ops->vacuum(store, pages, given, left, err);
}

pawl_code pw_store_space_look(pw_store *store, pw_store_space *out, pawl_error *err)
{
    return store->ops->space(store, out, err);
}

bool pw_store_is_owned(pw_store *store)
{
    return store->ops->is_owned(store);
}

void pw_clean_go_on(pw_clean_place *place, int64_t ms, pw_str id)
{
    PW_ASSERT(id.len < sizeof place->id);
    place->ms = ms;
    memcpy(place->id, id.ptr, id.len);
    place->id[id.len] = '\0';
}

/* ---- payloads that are still named */

/* In the order of bytes. */
static pw_clean_payload *find(pw_clean_payload *all, size_t count, pw_str digest)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = pw_str_cmp(all[middle].digest, digest);
        if (order == 0)
            return &all[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void pw_clean_name(pw_clean_payload *all, size_t count, pw_str text)
{
    static const pw_str mark = { "{\"$payload\":\"", 13 };
    const char *at = text.ptr, *end = text.ptr + text.len;
    while (count > 0 && at && (at = memmem(at, (size_t)(end - at), mark.ptr, mark.len)) != NULL) {
        at += mark.len;
        const char *quote = memchr(at, '"', (size_t)(end - at));
        pw_clean_payload *named = quote ? find(all, count, (pw_str){ at, (size_t)(quote - at) }) : NULL;
        if (named)
            named->named = true;
    }
}

pw_clean_payload *pw_clean_unread(pw_clean_payload *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (all[i].named && !all[i].read) {
            all[i].read = true;
            return &all[i];
        }
    return NULL;
}
