/* identity.c - tokens of the memory store, and commands under a key. */
#include <stdlib.h>

#include "store/memory/reading.h"

/* ---- tokens: few */

static const pw_principal *principal_at(const pw_memory *m, size_t at)
{
    return m->principals.items[at];
}

pawl_code pw_memory_principal_put(pw_store *base, const pw_principal *principal, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    pawl_code code = pw_mem_begin(base, err);
    if (code != PAWL_OK)
        return code;
    for (size_t i = 0; code == PAWL_OK && i < m->principals.count; i++)
        if (pw_str_eq(principal_at(m, i)->id, principal->id) ||
            pw_str_eq(principal_at(m, i)->digest, principal->digest))
            code = pw_store_principal_conflict(err, principal->id);
    pw_principal row = *principal;
    if (row.expires_ms < 0)
        row.expires_ms = -1;
    if (row.revoked_ms < 0)
        row.revoked_ms = -1;
    if (code == PAWL_OK && !pw_mem_put(m, &m->principals, m->principals.count,
                                       pw_mem_row_new(&pw_mem_principal_shape, &row)))
        code = pw_no_memory(err);
    return pw_mem_end(base, code, err);
}

static pawl_code revoke(pw_memory *m, size_t at, pw_str by, int64_t now_ms, pawl_error *err)
{
    pw_principal row = *principal_at(m, at);
    if (row.revoked_ms >= 0)
        return PAWL_OK;
    row.revoked_ms = now_ms;
    row.revoked_by = by;
    return pw_mem_replace(m, &m->principals, at, pw_mem_row_new(&pw_mem_principal_shape, &row))
               ? PAWL_OK
               : pw_no_memory(err);
}

pawl_code pw_memory_principal_revoke(pw_store *base, pw_str id, pw_str by, int64_t now_ms,
                                     pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    pawl_code code = pw_mem_begin(base, err);
    if (code != PAWL_OK)
        return code;
    size_t at = 0;
    while (at < m->principals.count && !pw_str_eq(principal_at(m, at)->id, id))
        at++;
    code = at < m->principals.count ? revoke(m, at, by, now_ms, err)
                                    : pw_store_not_found(err, "token", id);
    return pw_mem_end(base, code, err);
}

pawl_code pw_memory_principal_get(pw_store *base, pw_str digest, pw_principal *out, pw_arena *arena,
                                  pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    const pw_principal *row = NULL;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->principals.count && !row; i++)
        if (pw_str_eq(principal_at(m, i)->digest, digest))
            row = principal_at(m, i);
    if (row)
        pw_mem_row_copy(&pw_mem_principal_shape, out, row, arena);
    pthread_mutex_unlock(&m->lock);
    if (!row)
        return pw_store_no_token(err);
    return arena->failed ? pw_no_memory(err) : PAWL_OK;
}

static int by_name(const void *a, const void *b)
{
    const pw_principal *x = a, *y = b;
    int order = pw_str_cmp(x->name, y->name);
    if (order == 0)
        order = (x->created_ms > y->created_ms) - (x->created_ms < y->created_ms);
    return order ? order : pw_str_cmp(x->id, y->id);
}

pawl_code pw_memory_principals(pw_store *base, pw_principal **out, size_t *count, pw_arena *arena,
                               pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &pw_mem_principal_shape, .arena = arena };
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->principals.count; i++)
        (void)add(&r, principal_at(m, i));
    if (r.count > 1)
        qsort(r.items, r.count, sizeof(pw_principal), by_name);
    return give(m, &r, out, count, err);
}

/* ---- commands under a key */

typedef struct request {
    pw_str actor, key, digest;
    int64_t created_ms;
} request;

static const pw_mem_shape request_shape =
    SHAPE(request, IN(request, actor), IN(request, key), IN(request, digest));

static int compare_request(const void *item, const void *key)
{
    const request *a = item, *b = key;
    int order = pw_str_cmp(a->actor, b->actor);
    return order ? order : pw_str_cmp(a->key, b->key);
}

pawl_code pw_memory_request_put(pw_store *base, pw_str actor, pw_str key, pw_str digest,
                                int64_t now_ms, bool *seen, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    const request row = { actor, key, digest, now_ms };
    bool found = false;
    pawl_code code = pw_mem_begin(base, err);
    if (code != PAWL_OK)
        return code;
    size_t at = pw_mem_find(&m->requests, compare_request, &row, &found);
    if (found && !pw_str_eq(((const request *)m->requests.items[at])->digest, digest))
        code = pw_store_request_conflict(err, key);
    else if (!found && !pw_mem_put(m, &m->requests, at, pw_mem_row_new(&request_shape, &row)))
        code = pw_no_memory(err);
    code = pw_mem_end(base, code, err);
    if (code == PAWL_OK)
        *seen = found;
    return code;
}

/* ---- what is forgotten */

/* The creation of the item at this place; INT64_MAX: it is none that is ever forgotten. */
typedef int64_t age_at(const pw_mem_list *list, size_t at);

static int64_t request_age(const pw_mem_list *list, size_t at)
{
    return ((const request *)list->items[at])->created_ms;
}

static int64_t answer_age(const pw_mem_list *list, size_t at)
{
    const pw_inbox_row *row = list->items[at];
    return row->consumed_step > 0 && pw_str_starts(row->key, PW_LIT(PW_REQUEST_PREFIX))
               ? row->created_ms
               : INT64_MAX;
}

/* The oldest that is older; false: none. */
static bool oldest(const pw_mem_list *list, age_at *age, int64_t before_ms, size_t *at)
{
    bool found = false;
    for (size_t i = 0; i < list->count; i++) {
        int64_t created_ms = age(list, i);
        if (created_ms < before_ms) {
            before_ms = created_ms;
            *at = i;
            found = true;
        }
    }
    return found;
}

static pawl_code forget(pw_store *base, pw_mem_list *list, age_at *age, int64_t before_ms,
                        uint32_t most, uint32_t *deleted, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    uint32_t gone = 0;
    size_t at = 0;
    bool good = true;
    *deleted = 0;
    pthread_mutex_lock(&m->lock);
    bool any = oldest(list, age, before_ms, &at);
    pthread_mutex_unlock(&m->lock);
    if (!any)
        return PAWL_OK; /* and nothing is written */
    pawl_code code = pw_mem_begin(base, err);
    if (code != PAWL_OK)
        return code;
    for (; good && gone < most && oldest(list, age, before_ms, &at); gone++)
        good = pw_mem_remove(m, list, at);
    code = pw_mem_end(base, good ? PAWL_OK : pw_no_memory(err), err);
    if (code == PAWL_OK)
        *deleted = gone;
    return code;
}

pawl_code pw_memory_requests_expire(pw_store *base, int64_t before_ms, uint32_t most,
                                    uint32_t *deleted, pawl_error *err)
{
    return forget(base, &pw_memory_of(base)->requests, request_age, before_ms, most, deleted, err);
}

pawl_code pw_memory_answers_expire(pw_store *base, int64_t before_ms, uint32_t most,
                                   uint32_t *deleted, pawl_error *err)
{
    return forget(base, &pw_memory_of(base)->inbox, answer_age, before_ms, most, deleted, err);
}
