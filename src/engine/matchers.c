/* matchers.c - kept in the order of their digests as the store gives them, and beside that by type,
 * so that a message looks at those of its type and at those of any type only. */
#include <stdlib.h>
#include "engine/matchers.h"
#include "core/match.h"

typedef struct entry {
    pw_matcher matcher; /* text in `arena` */
    bool complete;
    pw_match *match; /* NULL: it cannot be compiled by this program, and fits nothing */
    pw_arena arena;
} entry;

struct pw_matchers {
    pw_expr_machine *machine;
    bool read; /* at least once */
    uint64_t complete;
    entry **items; /* by digest */
    entry **types; /* by type, then digest; any type first */
    size_t count;
};

pawl_code pw_matchers_new(pw_matchers **out, const pw_expr_limits *limits, pawl_error *err)
{
    pw_matchers *m = pw_zalloc(sizeof *m);
    if (m)
        m->machine = pw_expr_machine_new(limits);
    if (!m || !m->machine) {
        pw_free(m);
        return pw_no_memory(err);
    }
    *out = m;
    return PAWL_OK;
}

static void free_entry(entry *e)
{
    if (!e)
        return;
    pw_match_free(e->match);
    pw_arena_done(&e->arena);
    pw_free(e);
}

void pw_matchers_free(pw_matchers *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->count; i++)
        free_entry(m->items[i]);
    pw_free(m->items);
    pw_free(m->types);
    pw_expr_machine_free(m->machine);
    pw_free(m);
}

uint64_t pw_matchers_count(const pw_matchers *m)
{
    return m->count;
}

/* ------------------------------------------------------------------ reading */

static entry *find(const pw_matchers *m, pw_str digest)
{
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = pw_str_cmp(m->items[middle]->matcher.digest, digest);
        if (order == 0)
            return m->items[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static pawl_code make_entry(entry **out, const pw_matcher_row *row, pawl_error *err)
{
    entry *e = pw_zalloc(sizeof *e);
    if (!e)
        return pw_no_memory(err);
    pw_arena_init(&e->arena, 0);
    e->matcher = (pw_matcher){ .digest = pw_arena_str(&e->arena, row->matcher.digest),
                               .type = pw_arena_str(&e->arena, row->matcher.type),
                               .parts = pw_arena_str(&e->arena, row->matcher.parts) };
    pawl_code code = e->arena.failed ? pw_no_memory(err) : PAWL_OK;
    if (code == PAWL_OK)
        code = pw_match_new(&e->match, &e->matcher, err);
    if (code == PAWL_NO_MEMORY) {
        free_entry(e);
        return code;
    }
    if (code != PAWL_OK)
        e->match = NULL;
    *out = e;
    return PAWL_OK;
}

static int by_type(const void *a, const void *b)
{
    const entry *x = *(entry *const *)a, *y = *(entry *const *)b;
    int order = pw_str_cmp(x->matcher.type, y->matcher.type);
    return order ? order : pw_str_cmp(x->matcher.digest, y->matcher.digest);
}

static pawl_code adopt(pw_matchers *m, const pw_matcher_row *rows, size_t count, pawl_error *err)
{
    entry **items = pw_zalloc((count + 1) * sizeof(entry *));
    entry **types = pw_zalloc((count + 1) * sizeof(entry *));
    pawl_code code = items && types ? PAWL_OK : pw_no_memory(err);
    size_t made = 0;
    for (; made < count && code == PAWL_OK; made++) {
        items[made] = find(m, rows[made].matcher.digest);
        if (!items[made])
            code = make_entry(&items[made], &rows[made], err);
        if (code != PAWL_OK)
            break;
    }
    if (code != PAWL_OK) { /* the old ones stay; what was made goes */
        for (size_t i = 0; i < made; i++)
            if (items && find(m, items[i]->matcher.digest) != items[i])
                free_entry(items[i]);
        pw_free(items);
        pw_free(types);
        return code;
    }
    m->complete = 0;
    for (size_t i = 0; i < count; i++) {
        items[i]->complete = rows[i].complete;
        m->complete += rows[i].complete;
    }
    pw_free(m->items);
    pw_free(m->types);
    m->items = items;
    m->types = types;
    m->count = count;
    memcpy(m->types, m->items, count * sizeof(entry *));
    if (count)
        qsort(m->types, count, sizeof(entry *), by_type);
    m->read = true;
    return PAWL_OK;
}

pawl_code pw_matchers_refresh(pw_matchers *m, pw_store *store, pawl_error *err)
{
    uint64_t all = 0, complete = 0;
    pawl_code code = pw_store_matcher_count(store, &all, &complete, err);
    if (code != PAWL_OK || (m->read && all == m->count && complete == m->complete))
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_matcher_row *rows = NULL;
    size_t count = 0;
    code = pw_store_matchers(store, &rows, &count, &arena, err);
    if (code == PAWL_OK)
        code = adopt(m, rows, count, err);
    pw_arena_done(&arena);
    return code;
}

/* ------------------------------------------------------------------ looking */

/* The first in `types` that is not before this type. */
static size_t first_of(const pw_matchers *m, pw_str type)
{
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pw_str_cmp(m->types[middle]->matcher.type, type) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static pawl_code hash_by(pw_matchers *m, const entry *e, pw_value message, int64_t now_ms,
                         char out[65], bool *found, pw_arena *arena, pawl_error *err)
{
    pawl_code code = PAWL_NOT_FOUND;
    if (e->match)
        code = pw_match_hash(out, e->match, message, now_ms, m->machine, arena, err);
    *found = code == PAWL_OK;
    return code == PAWL_NO_MEMORY ? code : PAWL_OK;
}

typedef struct hashes {
    pw_str *items;
    size_t count, size;
} hashes;

static pawl_code add_hash(hashes *h, const char *hash, pw_arena *arena, pawl_error *err)
{
    if (h->count == h->size) {
        size_t size = h->size ? 2 * h->size : 8;
        pw_str *items = pw_arena_grow(arena, h->items, h->size * sizeof *items, size * sizeof *items);
        if (!items)
            return pw_no_memory(err);
        h->items = items;
        h->size = size;
    }
    pw_str text = pw_arena_str(arena, (pw_str){ hash, 64 });
    if (!text.ptr)
        return pw_no_memory(err);
    h->items[h->count++] = text;
    return PAWL_OK;
}

pawl_code pw_matchers_hashes(pw_matchers *m, pw_value message, int64_t now_ms, pw_str **out,
                             size_t *count, pw_arena *arena, pawl_error *err)
{
    const pw_str types[] = { { "", 0 }, pw_get_text(message, "type") };
    hashes found = { 0 };
    for (size_t t = 0; t < PW_LENGTH(types); t++)
        for (size_t i = first_of(m, types[t]);
             i < m->count && pw_str_eq(m->types[i]->matcher.type, types[t]); i++) {
            char hash[65];
            bool some = false;
            pawl_code code = hash_by(m, m->types[i], message, now_ms, hash, &some, arena, err);
            if (code == PAWL_OK && some)
                code = add_hash(&found, hash, arena, err);
            if (code != PAWL_OK)
                return code;
        }
    *out = found.items;
    *count = found.count;
    return PAWL_OK;
}

pawl_code pw_matchers_hash(pw_matchers *m, pw_str digest, pw_value message, int64_t now_ms,
                           char out[65], bool *found, pw_arena *arena, pawl_error *err)
{
    const entry *e = find(m, digest);
    *found = false;
    return e ? hash_by(m, e, message, now_ms, out, found, arena, err) : PAWL_OK;
}

bool pw_matchers_incomplete(const pw_matchers *m, pw_str digest, pw_str *type)
{
    const entry *e = find(m, digest);
    if (!e || e->complete)
        return false;
    *type = e->matcher.type;
    return true;
}

bool pw_matchers_next_incomplete(const pw_matchers *m, pw_str after, pw_str *digest, pw_str *type)
{
    for (size_t i = 0; i < m->count; i++) {
        const entry *e = m->items[i];
        if (e->complete || (after.len && pw_str_cmp(e->matcher.digest, after) <= 0))
            continue;
        *digest = e->matcher.digest;
        *type = e->matcher.type;
        return true;
    }
    return false;
}
