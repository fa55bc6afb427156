/* store.c - one interface, several stores: chooses the store by its URI, checks what every store
 * must refuse in the same words, and passes the rest on.
 *
 * What is checked here: names and keys fit their columns, numbers fit 64 signed bits, an outbox id
 * is of its step, an instance is in a batch once. What needs the stored rows to decide (does it
 * exist, is it open, who was first) is each store's own.
 *
 * An arena handed to a read may have a guard set, which would jump out past a store that holds a
 * reader: so the guard is taken off for the time of the call, and a failed arena comes back as
 * PAWL_NO_MEMORY. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include "store/store_internal.h"
#include "base/digest.h"

/* ---- URIs */

static bool is_scheme_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-';
}

/* The "postgresql" of "postgresql://..."; empty: a plain path. One letter is no scheme. */
static pw_str scheme_of(pw_str uri)
{
    size_t len = 0;
    while (len < uri.len && is_scheme_char(uri.ptr[len]))
        len++;
    if (len < 2 || len >= uri.len || uri.ptr[len] != ':')
        return (pw_str){ "", 0 };
    return (pw_str){ uri.ptr, len };
}

pawl_code pw_store_uri_path(pw_str *out, pw_str uri, pawl_error *err)
{
    if (uri.len == 0)
        return pw_fail(err, PAWL_INVALID, "no store is named: give a file, as in 'sqlite:work.db'");
    if (memchr(uri.ptr, '\0', uri.len))
        return pw_fail(err, PAWL_INVALID, "the store's name contains a NUL byte");
    pw_str scheme = scheme_of(uri);
    pw_str path = uri;
    if (pw_str_is(scheme, "memory")) {
        if (!pw_str_is(uri, "memory:"))
            return pw_fail(err, PAWL_INVALID,
                           "'" PW_FMT "': a store in memory has no name: write "
                           "'memory:'",
                           PW_ARG(uri));
        *out = (pw_str){ "", 0 };
        return PAWL_OK;
    }
    if (pw_str_is(scheme, "sqlite"))
        path = (pw_str){ uri.ptr + 7, uri.len - 7 };
    else if (scheme.len > 0)
        return pw_fail(err, PAWL_INVALID,
                       "'" PW_FMT "': this program knows no '" PW_FMT ":' stores: "
                       "write 'sqlite:PATH', a path, or 'memory:'",
                       PW_ARG(uri), PW_ARG(scheme));
    if (path.len == 0)
        return pw_fail(err, PAWL_INVALID, "'" PW_FMT "' names no file: write 'sqlite:PATH'",
                       PW_ARG(uri));
    *out = path;
    return PAWL_OK;
}

pawl_code pw_store_open(pw_store **out, const pw_store_options *options, pawl_error *err)
{
    pw_str path;
    pawl_code code = pw_store_uri_path(&path, options->uri, err);
    if (code != PAWL_OK)
        return code;
    if (path.len > 0)
        return pw_sqlite_open(out, path, options->mode, options->create, err);
    if (options->mode == PW_STORE_READ)
        return pw_fail(err, PAWL_NOT_FOUND, "'memory:' is empty: there is nothing to read");
    return pw_memory_open(out, err);
}

pawl_code pw_store_migrate(pw_str uri, int *from, int *to, pawl_error *err)
{
    pw_str path;
    pawl_code code = pw_store_uri_path(&path, uri, err);
    if (code != PAWL_OK)
        return code;
    int versions[2] = { PW_SCHEMA_VERSION, PW_SCHEMA_VERSION };
    if (path.len > 0 &&
        (code = pw_sqlite_migrate(path, &versions[0], &versions[1], err)) != PAWL_OK)
        return code;
    if (from)
        *from = versions[0];
    if (to)
        *to = versions[1];
    return PAWL_OK;
}

void pw_store_close(pw_store *store)
{
    if (!store)
        return;
    pw_free(store->sinks);
    store->ops->close(store);
}

pawl_code pw_store_reopen(pw_store *store, pawl_error *err)
{
    atomic_fetch_add_explicit(&store->times.reopens, 1, memory_order_relaxed);
    return store->ops->reopen(store, err);
}

pw_str pw_store_generation(const pw_store *store)
{
    return store->generation;
}

const pw_str *pw_store_past_generations(const pw_store *store, size_t *count)
{
    *count = store->past_count;
    return store->past;
}

pw_str pw_store_secret(const pw_store *store)
{
    return store->secret;
}

pawl_code pw_store_make_secret(char out[PW_STORE_SECRET_SIZE], pawl_error *err)
{
    uint8_t random[(PW_STORE_SECRET_SIZE - 1) / 2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return pw_fail_native(err, PAWL_IO, errno, "no random numbers: %s", strerror(errno));
    for (size_t i = 0; i < sizeof random; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", random[i]);
    return PAWL_OK;
}

pw_str pw_store_path(const pw_store *store)
{
    return store->path;
}

void pw_store_count(const pw_store *store, pw_store_counts *out)
{
    store->ops->count(store, out);
}

/* ---- what all stores say in the same words */

pawl_code pw_store_lost_race(pw_commit_item *item, bool create)
{
    item->code = create ? pw_fail(&item->error, PAWL_CONFLICT,
                                  "instance '" PW_FMT "' exists already", PW_ARG(item->instance))
                        : pw_fail(&item->error, PAWL_CONFLICT,
                                  "instance '" PW_FMT "' has moved on from "
                                  "step %llu: read it again",
                                  PW_ARG(item->instance), (unsigned long long)item->token);
    return item->code;
}

pawl_code pw_store_fenced(pw_commit_item *item)
{
    item->fenced = true;
    item->code =
        pw_fail(&item->error, PAWL_BUSY,
                "instance '" PW_FMT "': its partition %u is another node's now: try again, "
                "there or here",
                PW_ARG(item->instance), pw_store_partition(item->instance));
    return item->code;
}

pawl_code pw_store_bookmark_not_open(pw_commit_item *item, const pw_bookmark_end *end)
{
    item->code = pw_fail(&item->error, PAWL_CORRUPT,
                         "instance '" PW_FMT "': bookmark '" PW_FMT "' of visit %llu is "
                         "not open: its state and its rows do not agree",
                         PW_ARG(item->instance), PW_ARG(pw_store_cut(end->key, 150)),
                         (unsigned long long)end->visit);
    return item->code;
}

pawl_code pw_store_bookmark_not_there(pw_commit_item *item, const pw_bookmark_change *change)
{
    return pw_store_bookmark_not_open(
        item, &(pw_bookmark_end){ .visit = change->visit, .key = change->key });
}

pawl_code pw_store_no_such_call(pw_commit_item *item, const pw_call_outcome *outcome)
{
    item->code = pw_fail(&item->error, PAWL_CORRUPT,
                         "instance '" PW_FMT "': no call '" PW_FMT "' of visit %llu: its "
                         "state and its rows do not agree",
                         PW_ARG(item->instance), PW_ARG(pw_store_cut(outcome->key, 150)),
                         (unsigned long long)outcome->visit);
    return item->code;
}

pawl_code pw_store_no_such_subscription(pw_commit_item *item, const pw_subscription_end *end)
{
    item->code = pw_fail(&item->error, PAWL_CORRUPT,
                         "instance '" PW_FMT "': no subscription %u of visit %llu: its state and "
                         "its rows do not agree",
                         PW_ARG(item->instance), end->ordinal, (unsigned long long)end->visit);
    return item->code;
}

pawl_code pw_store_nothing_listens(pw_commit_item *item, const pw_subscription *subscription)
{
    item->code = pw_fail(&item->error, PAWL_CORRUPT,
                         "instance '" PW_FMT "': visit %llu subscribes to messages and has no open "
                         "bookmark for them: its state and its rows do not agree",
                         PW_ARG(item->instance), (unsigned long long)subscription->visit);
    return item->code;
}

pawl_code pw_store_not_delivered(pw_commit_item *item, const pw_message_taken *message, bool taken)
{
    item->code = pw_fail(
        &item->error, taken ? PAWL_CONFLICT : PAWL_CORRUPT,
        "instance '" PW_FMT "': message %llu %s to visit %llu%s", PW_ARG(item->instance),
        (unsigned long long)message->number, taken ? "was delivered" : "was not delivered",
        (unsigned long long)message->visit,
        taken ? " and has had its effect already" : ": its state and its rows do not agree");
    return item->code;
}

pawl_code pw_store_inbox_used(pw_commit_item *item)
{
    item->used = true;
    item->code = pw_fail(&item->error, PAWL_CONFLICT,
                         "instance '" PW_FMT "': the command '" PW_FMT "' has had its "
                         "effect already",
                         PW_ARG(item->instance), PW_ARG(pw_store_cut(item->inbox.key, 150)));
    return item->code;
}

pawl_code pw_store_not_found(pawl_error *err, const char *what, pw_str name)
{
    static const struct {
        const char *what;
        pawl_reason reason;
    } reasons[] = { { "instance", PAWL_REASON_NO_INSTANCE },
                    { "definition", PAWL_REASON_NO_DEFINITION },
                    { "bookmark", PAWL_REASON_NO_BOOKMARK } };
    pawl_reason reason = PAWL_REASON_NONE;
    for (size_t i = 0; i < PW_LENGTH(reasons); i++)
        reason = strcmp(what, reasons[i].what) == 0 ? reasons[i].reason : reason;
    return pw_fail_reason(err, PAWL_NOT_FOUND, reason, "no %s '" PW_FMT "'", what,
                          PW_ARG(pw_store_cut(name, 256)));
}

pawl_code pw_store_no_version(pawl_error *err, pw_str name, pw_str version)
{
    return pw_fail_reason(err, PAWL_NOT_FOUND, PAWL_REASON_NO_DEFINITION,
                          "definition '" PW_FMT "' has no version '" PW_FMT "'",
                          PW_ARG(pw_store_cut(name, 100)), PW_ARG(pw_store_cut(version, 100)));
}

pawl_code pw_store_definition_conflict(pawl_error *err, const pw_definition *definition)
{
    return pw_fail_reason(
        err, PAWL_CONFLICT, PAWL_REASON_VERSION_EXISTS,
        "definition '" PW_FMT "/" PW_FMT "' has a version " PW_FMT
        " with other content: published versions never change, so raise document.version",
        PW_ARG(pw_store_cut(definition->namespace_, 100)),
        PW_ARG(pw_store_cut(definition->name, 100)),
        PW_ARG(pw_store_cut(definition->version, 100)));
}

pawl_code pw_store_inbox_conflict(pawl_error *err, const pw_inbox_row *row)
{
    return pw_fail(err, PAWL_CONFLICT,
                   "instance '" PW_FMT "' has another command under the key '" PW_FMT "': use a "
                   "new key",
                   PW_ARG(row->target), PW_ARG(pw_store_cut(row->key, 200)));
}

/* ---- ids of outbox events */

/* A decimal number without leading zeros, up to INT64_MAX, from the end of *s; takes it and the '-'
 * before it away. */
static bool take_last_number(int64_t *out, pw_str *s)
{
    size_t at = s->len;
    while (at > 0 && s->ptr[at - 1] != '-')
        at--;
    size_t len = s->len - at;
    if (at < 2 || len == 0 || len > 19 || (len > 1 && s->ptr[at] == '0'))
        return false;
    uint64_t n = 0;
    for (size_t i = at; i < s->len; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(s->ptr[i] - '0'); /* 19 digits fit 64 bits */
    }
    if (n > INT64_MAX)
        return false;
    *out = (int64_t)n;
    s->len = at - 1;
    return true;
}

static bool outbox_id(int64_t *step, int64_t *ordinal, pw_str id, pw_str instance)
{
    return take_last_number(ordinal, &id) && take_last_number(step, &id) && pw_str_eq(id, instance);
}

bool pw_outbox_ordinal(int64_t *out, pw_str id, pw_str instance, uint64_t step)
{
    int64_t id_step = 0;
    return outbox_id(&id_step, out, id, instance) && (uint64_t)id_step == step;
}

bool pw_outbox_place(pw_str id, pw_str *instance, uint64_t *step, uint64_t *ordinal)
{
    int64_t numbers[2] = { 0, 0 };
    if (!take_last_number(&numbers[1], &id) || !take_last_number(&numbers[0], &id))
        return false;
    *step = (uint64_t)numbers[0];
    *ordinal = (uint64_t)numbers[1];
    *instance = id;
    return true;
}

/* ---- numbers in cursors */

bool pw_store_take_number(int64_t *out, pw_str *s)
{
    bool negative = s->len > 0 && s->ptr[0] == '-';
    uint64_t n = 0;
    size_t at = negative, digits = 0;
    for (; at < s->len && s->ptr[at] >= '0' && s->ptr[at] <= '9'; at++) {
        if (++digits > 19)
            return false;
        n = n * 10 + (uint64_t)(s->ptr[at] - '0'); /* 19 digits fit 64 bits */
    }
    if (digits == 0 || n > INT64_MAX || at >= s->len || s->ptr[at] != '-')
        return false;
    *out = negative ? -(int64_t)n : (int64_t)n;
    *s = (pw_str){ s->ptr + at + 1, s->len - at - 1 };
    return true;
}

/* ---- definitions */

pawl_code pw_store_definition_put(pw_store *store, const pw_definition *definition, bool *created,
                                  pawl_error *err)
{
    PW_STORE_TIMED(store, DEFINITION);
    if (!pw_store_fits(definition->namespace_, 1, 256) ||
        !pw_store_fits(definition->name, 1, 256) || !pw_store_fits(definition->version, 1, 256))
        return pw_fail(err, PAWL_INVALID,
                       "a definition's namespace, name and version must have 1 to 256 bytes");
    if (!pw_store_fits(definition->digest, 1, 128))
        return pw_fail(err, PAWL_INVALID, "a definition's digest must have 1 to 128 bytes");
    return store->ops->definition_put(store, definition, created, err);
}

/* Calls back from here leave the arena's guard as it was; a failed arena is PAWL_NO_MEMORY. */
pw_arena_call pw_store_read_enter(pw_arena *arena)
{
    return (pw_arena_call){ arena, pw_arena_guard(arena, NULL) };
}

pawl_code pw_store_read_leave(pw_arena_call call, pawl_code code, pawl_error *err)
{
    (void)pw_arena_guard(call.arena, call.guard);
    if (!call.arena->failed || (code != PAWL_OK && code != PAWL_NO_MEMORY))
        return code;
    if (call.arena->over_limit)
        return pw_fail(err, PAWL_NO_MEMORY,
                       "what was read from the store is larger than the %zu bytes allowed",
                       call.arena->limit);
    return pw_no_memory(err);
}

/* What is published comes before what is not, the newer before the older. */
static bool is_better(const pw_definition *a, const pw_definition *b)
{
    bool a_open = a->status == PW_DEFINITION_PUBLISHED,
         b_open = b->status == PW_DEFINITION_PUBLISHED;
    return a_open != b_open ? a_open : pw_version_cmp(a->version, b->version) > 0;
}

/* The newest version of `name` (or `version` itself), in the one namespace that has it. */
static pawl_code newest(pw_store *store, pw_str *namespace_, pw_str name, pw_str *version,
                        pw_arena *arena, pawl_error *err)
{
    pw_definition *all = NULL;
    size_t count = 0;
    pawl_code code =
        store->ops->definition_versions(store, *namespace_, name, &all, &count, arena, err);
    if (code != PAWL_OK)
        return code;
    if (count == 0)
        return pw_store_not_found(err, "definition", name);
    const pw_definition *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!pw_str_eq(all[i].namespace_, all[0].namespace_))
            return pw_fail(err, PAWL_CONFLICT,
                           "'" PW_FMT "' is in the namespaces '" PW_FMT "' and '" PW_FMT "': write "
                           "namespace/name",
                           PW_ARG(pw_store_cut(name, 100)), PW_ARG(all[0].namespace_),
                           PW_ARG(all[i].namespace_));
        if (version->len > 0 ? pw_str_eq(all[i].version, *version)
                             : !best || is_better(&all[i], best))
            best = &all[i];
    }
    if (!best)
        return pw_store_no_version(err, name, *version);
    *namespace_ = best->namespace_;
    *version = best->version;
    return PAWL_OK;
}

pawl_code pw_store_definition_get(pw_store *store, pw_str namespace_, pw_str name, pw_str version,
                                  pw_definition *out, pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, DEFINITION);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = PAWL_OK;
    if (namespace_.len == 0 || version.len == 0)
        code = newest(store, &namespace_, name, &version, arena, err);
    if (code == PAWL_OK)
        code = store->ops->definition_get(store, namespace_, name, version, out, arena, err);
    return pw_store_read_leave(call, code, err);
}

/* ---- nodes and partitions */

uint32_t pw_store_partition(pw_str instance)
{
    return (uint32_t)(pw_hash64(0, instance.ptr, instance.len) % PW_PARTITIONS);
}

bool pw_store_exclusive(const pw_store *store)
{
    return store->ops->exclusive(store);
}

static pawl_code check_node(pw_str node, pawl_error *err)
{
    return pw_store_fits(node, 1, PW_NODE_ID_MAX)
               ? PAWL_OK
               : pw_fail(err, PAWL_INVALID, "a node's id must have 1 to 128 bytes and no NUL");
}

pawl_code pw_store_node_beat(pw_store *store, pw_str node, uint64_t lease_ms, pw_partitions *out,
                             pawl_error *err)
{
    PW_STORE_TIMED(store, LEASE);
    pawl_code code = check_node(node, err);
    if (code == PAWL_OK && (lease_ms == 0 || lease_ms > PW_LEASE_MAX_MS))
        code = pw_fail(err, PAWL_INVALID, "a lease must be 1 ms to %llu ms, not %llu",
                       (unsigned long long)PW_LEASE_MAX_MS, (unsigned long long)lease_ms);
    return code == PAWL_OK ? store->ops->node_beat(store, node, lease_ms, out, err) : code;
}

pawl_code pw_store_partitions_take(pw_store *store, pw_str node, uint64_t wanted,
                                   pw_partitions *out, pawl_error *err)
{
    PW_STORE_TIMED(store, LEASE);
    pawl_code code = check_node(node, err);
    return code == PAWL_OK ? store->ops->partitions_take(store, node, wanted, out, err) : code;
}

pawl_code pw_store_partitions_give(pw_store *store, pw_str node, uint64_t given, bool leaving,
                                   pawl_error *err)
{
    PW_STORE_TIMED(store, LEASE);
    pawl_code code = check_node(node, err);
    if (leaving)
        given = PW_ALL_PARTITIONS;
    return code == PAWL_OK ? store->ops->partitions_give(store, node, given, leaving, err) : code;
}

pawl_code pw_store_partition_node(pw_store *store, uint32_t partition, pw_str *out, pw_arena *arena,
                                  pawl_error *err)
{
    PW_STORE_TIMED(store, LEASE);
    PW_ASSERT(partition < PW_PARTITIONS);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->partition_node(store, partition, out, arena, err);
    return pw_store_read_leave(call, code, err);
}

static const char *const definition_statuses[] = {
    [PW_DEFINITION_PUBLISHED] = "published",
    [PW_DEFINITION_DEPRECATED] = "deprecated",
    [PW_DEFINITION_ARCHIVED] = "archived",
    [PW_DEFINITION_DRAFT] = "draft",
};

const char *pw_definition_status_name(pw_definition_status status)
{
    return (unsigned)status < PW_LENGTH(definition_statuses) ? definition_statuses[status]
                                                             : "unknown";
}

bool pw_definition_status_parse(pw_definition_status *out, pw_str name)
{
    for (unsigned i = 0; i < PW_LENGTH(definition_statuses); i++) {
        if (pw_str_is(name, definition_statuses[i])) {
            *out = (pw_definition_status)i;
            return true;
        }
    }
    return false;
}

pawl_code pw_store_definition_status(pw_store *store, pw_str namespace_, pw_str name,
                                     pw_str version, pw_definition_status status, pawl_error *err)
{
    PW_STORE_TIMED(store, DEFINITION);
    return store->ops->definition_status(store, namespace_, name, version, status, err);
}

/* Cursors of definitions are "namespace/name/version"; a version may hold anything but '/'. */
static bool read_definition_cursor(pw_definition *out, pw_str cursor)
{
    pw_str *parts[] = { &out->namespace_, &out->name };
    for (size_t i = 0; i < PW_LENGTH(parts); i++) {
        const char *slash = cursor.len ? memchr(cursor.ptr, '/', cursor.len) : NULL;
        if (!slash)
            return false;
        *parts[i] = (pw_str){ cursor.ptr, (size_t)(slash - cursor.ptr) };
        cursor = (pw_str){ slash + 1, cursor.len - parts[i]->len - 1 };
    }
    out->version = cursor;
    return cursor.len > 0;
}

static int by_name_then_newest(const void *a, const void *b)
{
    const pw_definition *x = &((const pw_definition_row *)a)->definition;
    const pw_definition *y = &((const pw_definition_row *)b)->definition;
    int order = pw_str_cmp(x->namespace_, y->namespace_);
    if (order == 0)
        order = pw_str_cmp(x->name, y->name);
    return order != 0 ? order : pw_version_cmp(y->version, x->version);
}

pawl_code pw_store_definition_list(pw_store *store, const pw_definition_filter *filter,
                                   pw_definition_row **out, size_t *count, pw_str *next,
                                   pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, LIST);
    PW_ASSERT(filter->limit >= 1 && filter->limit <= PW_PAGE_MAX);
    pw_definition behind = { .namespace_ = PW_LIT(""), .name = PW_LIT(""), .version = PW_LIT("") };
    if (filter->after.len > 0 && !read_definition_cursor(&behind, filter->after))
        return pw_fail(err, PAWL_INVALID,
                       "'" PW_FMT "' is no cursor of a list: take it from the page before",
                       PW_ARG(pw_store_cut(filter->after, 100)));
    pawl_code code = pw_store_check_namespaces(filter->namespaces, filter->namespace_count, err);
    if (code != PAWL_OK)
        return code;
    pw_arena_call call = pw_store_read_enter(arena);
    *next = (pw_str){ "", 0 };
    /* one more than asked for tells whether there is a next page */
    code = store->ops->definition_list(store, filter, &behind, filter->limit + 1, out, count, arena,
                                       err);
    if (code == PAWL_OK && *count > filter->limit) {
        *count = filter->limit;
        const pw_definition *last = &(*out)[*count - 1].definition;
        *next = pw_arena_printf(arena, PW_FMT "/" PW_FMT "/" PW_FMT, PW_ARG(last->namespace_),
                                PW_ARG(last->name), PW_ARG(last->version));
    }
    code = pw_store_read_leave(call, code, err);
    if (code == PAWL_OK && *count > 0)
        qsort(*out, *count, sizeof **out, by_name_then_newest);
    return code;
}

/* ---- commit */

static pawl_code refuse(pw_commit_item *item, const char *what)
{
    pw_str id = item->instance;
    item->code = pw_fail(&item->error, PAWL_INVALID, "instance '" PW_FMT "': %s",
                         PW_ARG(pw_store_cut(id, PW_ID_MAX)), what);
    return item->code;
}

static pawl_code check_rows(pw_commit_item *item)
{
    const pw_transition *t = item->transition;
    for (size_t i = 0; i < t->bookmark_count; i++) {
        if (!pw_store_fits(t->bookmarks[i].key, 1, PW_KEY_MAX) || t->bookmarks[i].visit > INT64_MAX)
            return refuse(item, "a bookmark's key must have 1 to 1024 bytes and no NUL");
    }
    for (size_t i = 0; i < t->bookmark_change_count; i++) {
        const pw_bookmark_change *change = &t->bookmark_changes[i];
        if (change->visit > INT64_MAX)
            return refuse(item, "a visit is beyond 63 bits");
        if (!pw_store_fits(change->claimed_by, 0, PW_PERSON_MAX))
            return refuse(item, "a person's name must have at most 512 bytes and no NUL");
    }
    for (size_t i = 0; i < t->bookmark_end_count; i++) {
        if (t->bookmark_ends[i].visit > INT64_MAX)
            return refuse(item, "a visit is beyond 63 bits");
    }
    for (size_t i = 0; i < t->event_count; i++) {
        int64_t ordinal = 0;
        if (!pw_outbox_ordinal(&ordinal, t->events[i].id, item->instance, item->token + 1))
            return refuse(item, "an outbox event's id is not instance-step-ordinal");
    }
    for (size_t i = 0; i < t->call_count; i++) {
        const pw_call_intent *intent = &t->calls[i];
        if (!pw_store_fits(intent->key, 1, PW_KEY_MAX) || intent->visit > INT64_MAX ||
            intent->timeout_ms > INT64_MAX)
            return refuse(item, "a call's key must have 1 to 1024 bytes and no NUL");
        if (intent->again && intent->request.len > 0)
            return refuse(item, "the request of a next attempt is the one that is stored");
    }
    for (size_t i = 0; i < t->outcome_count; i++) {
        if (t->outcomes[i].visit > INT64_MAX || t->outcomes[i].duration_ms > INT64_MAX)
            return refuse(item, "an outcome's visit or duration is beyond 63 bits");
    }
    for (size_t i = 0; i < t->payload_count; i++) {
        if (!pw_store_fits(t->payloads[i].digest, 1, PW_DIGEST_MAX))
            return refuse(item, "a payload's digest must have 1 to 128 bytes and no NUL");
    }
    for (size_t i = 0; i < t->subscription_count; i++) {
        const pw_subscription *s = &t->subscriptions[i];
        if (!pw_store_fits(s->matcher.digest, 1, PW_DIGEST_MAX) ||
            !pw_store_fits(s->hash, 1, PW_DIGEST_MAX) ||
            !pw_store_fits(s->matcher.type, 0, PW_KEY_MAX) || s->matcher.parts.len == 0 ||
            s->visit > INT64_MAX)
            return refuse(item, "a subscription's digest, hash or type is empty or too long");
        if (pw_status_ended(t->status) && !(t->status == PW_FAULTED && t->fault))
            return refuse(item, "what has ended subscribes to nothing");
    }
    for (size_t i = 0; i < t->subscription_end_count; i++) {
        if (t->subscription_ends[i].visit > INT64_MAX)
            return refuse(item, "a visit is beyond 63 bits");
    }
    for (size_t i = 0; i < t->taken_count; i++) {
        if (t->taken[i].visit > INT64_MAX || t->taken[i].number > INT64_MAX)
            return refuse(item, "a message's visit or number is beyond 63 bits");
    }
    for (size_t i = 0; i < t->branch_count; i++) {
        if (t->branches[i].fork == 0 || t->branches[i].fork > INT64_MAX)
            return refuse(item, "a branch's fork is not a visit");
    }
    for (size_t i = 0; i < t->fork_end_count; i++) {
        if (t->fork_ends[i] == 0 || t->fork_ends[i] > INT64_MAX)
            return refuse(item, "a fork that ends is not a visit");
    }
    for (size_t i = 0; i < t->message_count; i++) {
        const pw_inbox_message *message = &t->messages[i];
        if (!pw_store_fits(message->target, 1, PW_ID_MAX) ||
            !pw_store_fits(message->dedupe_key, 1, PW_KEY_MAX) ||
            !pw_store_fits(message->kind, 1, 64))
            return refuse(item, "a message's target, key or kind is empty or too long");
    }
    const char *bad_undo = pw_store_check_undo(t);
    if (bad_undo)
        return refuse(item, bad_undo);
    if (t->fault && t->fault->visit > INT64_MAX)
        return refuse(item, "a visit is beyond 63 bits");
    if (!pw_store_fits(t->resolution, 0, 64) ||
        (t->fault && !pw_store_fits(t->fault->resolution, 0, 64)))
        return refuse(item, "a resolution must have at most 64 bytes and no NUL");
    return PAWL_OK;
}

static pawl_code check_item(pw_commit_item *item)
{
    item->code = PAWL_OK;
    const pw_transition *t = item->transition;
    if (!pw_store_fits(item->instance, 1, PW_ID_MAX))
        return refuse(item, "an instance's id must have 1 to 128 bytes and no NUL");
    if (item->token >= INT64_MAX || (item->token == 0) != (item->create != NULL))
        return refuse(item, "token 0 is for the first step, and only for it");
    if (item->nonce != 0 && item->token != 0)
        return refuse(item, "a nonce is for the first step");
    if (!t->changed)
        return refuse(item, "the transition changes nothing");
    if (t->wake_at < 0 && t->wake_at != PW_WAKE_NEVER)
        return refuse(item, "wake_at is before 1970");
    if ((unsigned)t->status >= PW_STATUS_COUNT)
        return refuse(item, "the status is none");
    if (item->actor.len > 0 && !pw_store_fits(item->actor, 1, 512))
        return refuse(item, "an actor's name must have at most 512 bytes and no NUL");
    if (!pw_store_fits(item->correlation, 0, 512))
        return refuse(item, "a correlation id must have at most 512 bytes and no NUL");
    if (item->create) {
        const pw_instance_new *n = item->create;
        if (!pw_store_fits(n->business_key, 0, PW_BUSINESS_KEY_MAX))
            return refuse(item, "a business key must have at most 512 bytes and no NUL");
        if (!pw_store_fits(n->correlation, 0, 512) || !pw_store_fits(n->parent, 0, PW_ID_MAX) ||
            !pw_store_fits(n->input_digest, 0, 128) || !pw_store_fits(n->trace, 0, 512))
            return refuse(item,
                          "its correlation id (512 bytes), trace (512), parent (128) or digest "
                          "(128) is too long");
    }
    if (item->inbox.key.ptr && (!pw_store_fits(item->inbox.key, 1, PW_KEY_MAX) ||
                                (!item->inbox.stored && !pw_store_fits(item->inbox.kind, 1, 64))))
        return refuse(item, "a command's key must have 1 to 1024 bytes and its kind 1 to 64");
    return check_rows(item);
}

pawl_code pw_store_commit(pw_store *store, pw_commit_item *items, size_t count, pawl_error *err)
{
    PW_STORE_TIMED(store, COMMIT);
    for (size_t i = 0; i < count; i++) {
        (void)check_item(&items[i]);
#ifdef PW_CHECKS
        for (size_t j = 0; j < i; j++)
            PW_INVARIANT(!pw_str_eq(items[i].instance, items[j].instance));
#endif
    }
    return store->ops->commit(store, items, count, err);
}

/* ---- reading */

pawl_code pw_store_instance_get(pw_store *store, pw_str id, bool with_state, pw_instance_row *out,
                                pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, LOAD);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->instance_get(store, id, with_state, out, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_due(pw_store *store, uint64_t partitions, int64_t until_ms, int64_t after_ms,
                       pw_str after_id, uint32_t limit, pw_due **out, size_t *count,
                       pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, DUE);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->due(store, partitions, until_ms, after_ms, after_id, limit, out,
                                     count, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_next_due(pw_store *store, uint64_t partitions, int64_t until_ms, int64_t *out,
                            pawl_error *err)
{
    PW_STORE_TIMED(store, DUE);
    return store->ops->next_due(store, partitions, until_ms, out, err);
}

pawl_code pw_store_steps(pw_store *store, pw_str instance, uint64_t from, uint32_t limit,
                         pw_step_row **out, size_t *count, pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, ROWS);
    if (from > INT64_MAX)
        from = INT64_MAX; /* behind every step */
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->steps(store, instance, from, limit, out, count, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_payload_get(pw_store *store, pw_str instance, pw_str digest, pw_str *out,
                               pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, ROWS);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->payload_get(store, instance, digest, out, arena, err);
    return pw_store_read_leave(call, code, err);
}

static pawl_code payload_from(void *context, pw_str instance, pw_str digest, pw_str *out,
                              pw_arena *arena, pawl_error *err)
{
    return pw_store_payload_get(context, instance, digest, out, arena, err);
}

pw_payload_source pw_store_payloads(pw_store *store, pw_str instance)
{
    return (pw_payload_source){ .get = payload_from, .context = store, .instance = instance };
}

pawl_code pw_store_calls(pw_store *store, pw_str instance, bool pending_only, pw_call_row **out,
                         size_t *count, pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, ROWS);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->calls(store, instance, pending_only, out, count, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_outbox(pw_store *store, pw_str instance, pw_str after, uint32_t limit,
                          pw_outbox_row **out, size_t *count, pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, ROWS);
    int64_t step = 0, ordinal = 0;
    if (after.len > 0 && !outbox_id(&step, &ordinal, after, instance))
        return pw_fail(err, PAWL_INVALID, "'" PW_FMT "' is not an event of instance '" PW_FMT "'",
                       PW_ARG(pw_store_cut(after, 150)), PW_ARG(pw_store_cut(instance, PW_ID_MAX)));
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code =
        store->ops->outbox(store, instance, step, ordinal, limit, out, count, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_faults(pw_store *store, pw_str instance, pw_fault_row **out, size_t *count,
                          pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, ROWS);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->faults(store, instance, out, count, arena, err);
    return pw_store_read_leave(call, code, err);
}

/* ---- inbox */

static pawl_code check_inbox(const pw_inbox_row *row, pawl_error *err)
{
    if (!pw_store_fits(row->target, 1, PW_ID_MAX) || !pw_store_fits(row->key, 1, PW_KEY_MAX) ||
        !pw_store_fits(row->kind, 1, 64))
        return pw_fail(err, PAWL_INVALID,
                       "a command's target must have 1 to 128 bytes, its key 1 to 1024, "
                       "its kind 1 to 64");
    return PAWL_OK;
}

pawl_code pw_store_inbox_put(pw_store *store, const pw_inbox_row *row, pawl_error *err)
{
    PW_STORE_TIMED(store, INBOX);
    pawl_code code = check_inbox(row, err);
    return code == PAWL_OK ? store->ops->inbox_put(store, row, err) : code;
}

pawl_code pw_store_inbox_return(pw_store *store, pw_str target, pw_str key,
                                const pw_inbox_row *reply, pawl_error *err)
{
    PW_STORE_TIMED(store, INBOX);
    pawl_code code = reply ? check_inbox(reply, err) : PAWL_OK;
    return code == PAWL_OK ? store->ops->inbox_return(store, target, key, reply, err) : code;
}

pawl_code pw_store_inbox_get(pw_store *store, pw_str target, pw_str key, pw_inbox_row *out,
                             pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, INBOX);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->inbox_get(store, target, key, out, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_inbox_pending(pw_store *store, uint64_t partitions, uint32_t limit,
                                 pw_inbox_row **out, size_t *count, pw_arena *arena,
                                 pawl_error *err)
{
    PW_STORE_TIMED(store, INBOX);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->inbox_pending(store, partitions, limit, out, count, arena, err);
    return pw_store_read_leave(call, code, err);
}
