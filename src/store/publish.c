/* publish.c - what all stores have in common for publishing: which sinks want an event, what they
 * refuse, what they say. */
#include "store/store_internal.h"

static const char *const states[] = { "pending", "published", "dead", "discarded" };

const char *pw_publish_state_name(pw_publish_state state)
{
    PW_ASSERT((unsigned)state < PW_LENGTH(states));
    return states[state];
}

bool pw_publish_state_parse(pw_publish_state *out, pw_str name)
{
    for (size_t i = 0; i < PW_LENGTH(states); i++) {
        if (!pw_str_is(name, states[i]))
            continue;
        *out = (pw_publish_state)i;
        return true;
    }
    return false;
}

/* ---- sinks
 *
 * One block: the sinks, their patterns, and the bytes of both. */

struct pw_sink_set {
    size_t count;
    pw_sink_wants sinks[];
};

/* After a star fails further on, the text that the last star stands for is one byte longer: so it
 * takes at most |pattern| * |text| steps. */
bool pw_store_pattern_fits(pw_str pattern, pw_str text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, from = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            from = t;
        } else if (p < pattern.len && pattern.ptr[p] == text.ptr[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

static bool any_fits(const pw_str *patterns, size_t count, pw_str text)
{
    bool fits = count == 0;
    for (size_t i = 0; i < count && !fits; i++)
        fits = pw_store_pattern_fits(patterns[i], text);
    return fits;
}

bool pw_store_next_sink(const pw_store *store, const pw_outbox_event *event, size_t *at,
                        pw_str *name)
{
    const pw_sink_set *set = store->sinks;
    for (; set && *at < set->count; ++*at) {
        const pw_sink_wants *s = &set->sinks[*at];
        if (!any_fits(s->types, s->type_count, event->type) ||
            !any_fits(s->sources, s->source_count, event->source))
            continue;
        *name = s->name;
        ++*at;
        return true;
    }
    return false;
}

static bool name_good(pw_str name)
{
    bool good = pw_store_fits(name, 1, PW_SINK_NAME_MAX);
    for (size_t i = 0; i < name.len && good; i++) {
        char c = name.ptr[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    }
    return good;
}

static pawl_code check_sinks(const pw_sink_wants *sinks, size_t count, pawl_error *err)
{
    if (count > PW_SINKS_MAX)
        return pw_fail(err, PAWL_INVALID, "there may be at most %u sinks, not %zu", PW_SINKS_MAX,
                       count);
    for (size_t i = 0; i < count; i++) {
        if (!name_good(sinks[i].name))
            return pw_fail(err, PAWL_INVALID,
                           "sink '" PW_FMT "': a name has 1 to %u letters, digits, '-', '_' or '.'",
                           PW_ARG(pw_store_cut(sinks[i].name, 80)), PW_SINK_NAME_MAX);
        for (size_t j = 0; j < i; j++)
            if (pw_str_eq(sinks[j].name, sinks[i].name))
                return pw_fail(err, PAWL_INVALID, "there are two sinks '" PW_FMT "'",
                               PW_ARG(sinks[i].name));
    }
    return PAWL_OK;
}

/* Takes room for a text at the end of the block; NULL in a first pass, which only measures. */
static pw_str put_text(char **at, size_t *size, pw_str text)
{
    pw_str copy = { "", 0 };
    *size += text.len;
    if (!*at || text.len == 0)
        return copy;
    memcpy(*at, text.ptr, text.len);
    copy = (pw_str){ *at, text.len };
    *at += text.len;
    return copy;
}

static const pw_str *put_list(pw_str **lists, char **at, size_t *size, const pw_str *from,
                              size_t count)
{
    pw_str *list = *lists;
    for (size_t i = 0; i < count; i++) {
        pw_str copy = put_text(at, size, from[i]);
        if (list)
            list[i] = copy;
    }
    *size += count * sizeof *list;
    if (list)
        *lists += count;
    return list;
}

static size_t put_sinks(pw_sink_set *to, pw_str *lists, char *texts, const pw_sink_wants *sinks,
                        size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        pw_sink_wants copy = sinks[i];
        copy.name = put_text(&texts, &size, sinks[i].name);
        copy.types = put_list(&lists, &texts, &size, sinks[i].types, sinks[i].type_count);
        copy.sources = put_list(&lists, &texts, &size, sinks[i].sources, sinks[i].source_count);
        if (to)
            to->sinks[i] = copy;
    }
    return size;
}

pawl_code pw_store_sinks(pw_store *store, const pw_sink_wants *sinks, size_t count, pawl_error *err)
{
    pawl_code code = check_sinks(sinks, count, err);
    if (code != PAWL_OK)
        return code;
    size_t patterns = 0;
    for (size_t i = 0; i < count; i++)
        patterns += sinks[i].type_count + sinks[i].source_count;
    pw_sink_set *set =
        pw_zalloc(sizeof *set + count * sizeof *sinks + put_sinks(NULL, NULL, NULL, sinks, count));
    if (!set)
        return pw_no_memory(err);
    pw_str *lists = (pw_str *)(void *)(set->sinks + count);
    set->count = count;
    (void)put_sinks(set, lists, (char *)(lists + patterns), sinks, count);
    pw_free(store->sinks);
    store->sinks = set;
    return PAWL_OK;
}

/* ---- what is said */

pawl_code pw_store_no_letter(pawl_error *err, pw_str event, pw_str sink)
{
    if (sink.len == 0)
        return pw_fail_reason(err, PAWL_NOT_FOUND, PAWL_REASON_NO_LETTER,
                              "no dead letter '" PW_FMT "'", PW_ARG(pw_store_cut(event, 200)));
    return pw_fail_reason(err, PAWL_NOT_FOUND, PAWL_REASON_NO_LETTER,
                          "event '" PW_FMT "' is not for sink '" PW_FMT "'",
                          PW_ARG(pw_store_cut(event, 200)),
                          PW_ARG(pw_store_cut(sink, PW_SINK_NAME_MAX)));
}

pawl_code pw_store_letter_is(pawl_error *err, const pw_letter_place *letter, pw_publish_state state)
{
    return pw_fail(err, PAWL_STATE, "event '" PW_FMT "-%llu-%llu' is %s at sink '" PW_FMT "'",
                   PW_ARG(letter->instance), (unsigned long long)letter->step,
                   (unsigned long long)letter->ordinal, states[state], PW_ARG(letter->sink));
}

pawl_code pw_store_unpublished(pawl_error *err, pw_str id)
{
    return pw_fail_reason(err, PAWL_STATE, PAWL_REASON_UNPUBLISHED,
                          "instance '" PW_FMT "' has an event that is not published: wait, or "
                          "requeue or discard it, first",
                          PW_ARG(pw_store_cut(id, PW_ID_MAX)));
}

/* ---- publishing */

pawl_code pw_store_publish_due(pw_store *store, pw_str sink, uint64_t partitions, int64_t now_ms,
                               uint32_t limit, pw_publish_row **out, size_t *count, pw_arena *arena,
                               pawl_error *err)
{
    PW_STORE_TIMED(store, PUBLISH);
    if (limit < 1 || limit > PW_PAGE_MAX)
        return pw_fail(err, PAWL_INVALID, "a page has 1 to %u rows, not %u", PW_PAGE_MAX, limit);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code =
        store->ops->publish_due(store, sink, partitions, now_ms, limit, out, count, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_publish_next(pw_store *store, pw_str sink, uint64_t partitions, int64_t now_ms,
                                int64_t *out, pawl_error *err)
{
    PW_STORE_TIMED(store, PUBLISH);
    return store->ops->publish_next(store, sink, partitions, now_ms, out, err);
}

int pw_store_due_order(const void *a, const void *b)
{
    const pw_publish_row *x = a, *y = b;
    if (x->next_ms != y->next_ms)
        return x->next_ms < y->next_ms ? -1 : 1;
    int order = pw_str_cmp(x->event.instance, y->event.instance);
    if (order != 0)
        return order;
    if (x->event.sequence != y->event.sequence)
        return x->event.sequence < y->event.sequence ? -1 : 1;
    return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

static pawl_code check_end(const pw_publish_end *end, pawl_error *err)
{
    bool good = pw_store_fits(end->instance, 1, PW_ID_MAX) && end->sequence <= INT64_MAX &&
                end->ordinal <= INT64_MAX && name_good(end->sink) &&
                (unsigned)end->state <= PW_PUBLISH_DEAD &&
                (end->state != PW_PUBLISH_PENDING || end->next_ms >= 0);
    return good ? PAWL_OK
                : pw_fail(err, PAWL_INVALID,
                          "the end of a publish is of an event, at a sink, and published, dead, or "
                          "pending until an instant");
}

pawl_code pw_store_publish_end(pw_store *store, pw_publish_end *ends, size_t count, int64_t now_ms,
                               pawl_error *err)
{
    PW_STORE_TIMED(store, PUBLISH);
    for (size_t i = 0; i < count; i++) {
        pawl_code code = check_end(&ends[i], err);
        if (code != PAWL_OK)
            return code;
        ends[i].written = false;
    }
    return count == 0 ? PAWL_OK : store->ops->publish_end(store, ends, count, now_ms, err);
}

pawl_code pw_store_publish_count(pw_store *store, pw_publish_counts **out, size_t *count,
                                 pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, LIST);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->publish_count(store, out, count, arena, err);
    return pw_store_read_leave(call, code, err);
}

/* ---- dead letters */

int pw_store_letter_cmp(const pw_letter_place *a, const pw_letter_place *b)
{
    if (a->created_ms != b->created_ms)
        return a->created_ms > b->created_ms ? -1 : 1;
    int order = pw_str_cmp(b->instance, a->instance);
    if (order != 0)
        return order;
    if (a->step != b->step)
        return a->step > b->step ? -1 : 1;
    if (a->ordinal != b->ordinal)
        return a->ordinal > b->ordinal ? -1 : 1;
    return pw_str_cmp(b->sink, a->sink);
}

pw_letter_place pw_store_letter_place(const pw_publish_row *row)
{
    return (pw_letter_place){ row->created_ms, row->event.instance, row->event.sequence,
                              row->ordinal, row->sink };
}

/* "1-<created>-<step>-<ordinal>-<bytes of the sink>-<sink><instance>"; the 1 is its format. */
static bool read_cursor(pw_letter_place *out, pw_str cursor)
{
    int64_t format = 0, step = 0, ordinal = 0, len = 0;
    if (!pw_store_take_number(&format, &cursor) || format != 1 ||
        !pw_store_take_number(&out->created_ms, &cursor) || !pw_store_take_number(&step, &cursor) ||
        !pw_store_take_number(&ordinal, &cursor) || !pw_store_take_number(&len, &cursor) ||
        step < 0 || ordinal < 0 || len < 1 || (uint64_t)len >= cursor.len)
        return false;
    out->step = (uint64_t)step;
    out->ordinal = (uint64_t)ordinal;
    out->sink = (pw_str){ cursor.ptr, (size_t)len };
    out->instance = (pw_str){ cursor.ptr + len, cursor.len - (size_t)len };
    return true;
}

static pw_str write_cursor(const pw_publish_row *last, pw_arena *arena)
{
    return pw_arena_printf(arena, "1-%lld-%llu-%llu-%zu-" PW_FMT PW_FMT,
                           (long long)last->created_ms, (unsigned long long)last->event.sequence,
                           (unsigned long long)last->ordinal, last->sink.len, PW_ARG(last->sink),
                           PW_ARG(last->event.instance));
}

/* Newer than every letter. */
static const pw_letter_place newest = { INT64_MAX, { "", 0 }, 0, 0, { "", 0 } };

pawl_code pw_store_letters(pw_store *store, const pw_letter_filter *filter, pw_publish_row **out,
                           size_t *count, pw_str *next, pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, LIST);
    pw_letter_place behind = newest;
    if (filter->limit < 1 || filter->limit > PW_PAGE_MAX)
        return pw_fail(err, PAWL_INVALID, "a page has 1 to %u rows, not %u", PW_PAGE_MAX,
                       filter->limit);
    pawl_code code = pw_store_check_namespaces(filter->namespaces, filter->namespace_count, err);
    if (code != PAWL_OK)
        return code;
    if (filter->after.len > 0 && !read_cursor(&behind, filter->after))
        return pw_fail(err, PAWL_INVALID, "'" PW_FMT "' is not the \"next\" of a page before",
                       PW_ARG(pw_store_cut(filter->after, 100)));
    pw_arena_call call = pw_store_read_enter(arena);
    pw_publish_row *rows = NULL;
    size_t got = 0;
    pw_str cursor = { "", 0 };
    /* One more than asked tells whether there is a next page. */
    code = store->ops->letters(store, filter, &behind, filter->limit + 1, &rows, &got, arena, err);
    if (code == PAWL_OK && got > filter->limit) {
        got = filter->limit;
        cursor = write_cursor(&rows[got - 1], arena);
    }
    code = pw_store_read_leave(call, code, err);
    if (code != PAWL_OK)
        return code;
    *out = rows;
    *count = got;
    *next = cursor;
    return PAWL_OK;
}

pawl_code pw_store_letter_count(pw_store *store, const pw_letter_filter *filter, uint64_t *out,
                                pawl_error *err)
{
    PW_STORE_TIMED(store, LIST);
    uint64_t count = 0;
    pawl_code code = pw_store_check_namespaces(filter->namespaces, filter->namespace_count, err);
    if (code == PAWL_OK)
        code = store->ops->letter_count(store, filter, &newest, &count, err);
    if (code == PAWL_OK)
        *out = count;
    return code;
}

/* The only one that is dead; else the only one at all. */
static const pw_publish_row *choose(const pw_publish_row *rows, size_t count, bool *several)
{
    const pw_publish_row *dead = NULL;
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].state != PW_PUBLISH_DEAD)
            continue;
        dead = &rows[i];
        found++;
    }
    *several = found > 1 || (found == 0 && count > 1);
    return *several || count == 0 ? NULL : dead ? dead : rows;
}

static pawl_code get_letter(pw_store *store, pw_str event, pw_str sink, pw_publish_row *out,
                            pw_arena *arena, pawl_error *err)
{
    pw_letter_place place = { .sink = sink };
    pw_publish_row *rows = NULL;
    size_t count = 0;
    bool several = false;
    if (!pw_outbox_place(event, &place.instance, &place.step, &place.ordinal))
        return pw_store_no_letter(err, event, sink);
    pawl_code code = store->ops->letters_of(store, &place, &rows, &count, arena, err);
    const pw_publish_row *found = code == PAWL_OK ? choose(rows, count, &several) : NULL;
    if (code == PAWL_OK && several)
        return pw_fail(err, PAWL_CONFLICT, "event '" PW_FMT "' is for several sinks: name one",
                       PW_ARG(pw_store_cut(event, 200)));
    if (code == PAWL_OK && !found)
        return pw_store_no_letter(err, event, sink);
    if (code == PAWL_OK)
        *out = *found;
    return code;
}

pawl_code pw_store_letter_get(pw_store *store, pw_str event, pw_str sink, pw_publish_row *out,
                              pw_arena *arena, pawl_error *err)
{
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = get_letter(store, event, sink, out, arena, err);
    return pw_store_read_leave(call, code, err);
}

static pawl_code check_change(pw_str by, pw_str reason, pawl_error *err)
{
    return pw_store_fits(by, 0, PW_PERSON_MAX) && pw_store_fits(reason, 0, PW_REASON_MAX)
               ? PAWL_OK
               : pw_fail(err, PAWL_INVALID,
                         "who changes a dead letter must have at most 512 bytes, the reason at "
                         "most 4096, and no NUL");
}

pawl_code pw_store_letter_change(pw_store *store, pw_str event, pw_str sink, bool requeue,
                                 pw_str by, pw_str reason, int64_t now_ms, bool *changed,
                                 pawl_error *err)
{
    PW_STORE_TIMED(store, PUBLISH);
    pw_letter_change change = { .event = event,
                                .place = { .sink = sink },
                                .requeue = requeue,
                                .by = by.len ? by : PW_LIT("system"),
                                .reason = reason,
                                .now_ms = now_ms };
    if (!pw_outbox_place(event, &change.place.instance, &change.place.step, &change.place.ordinal))
        return pw_store_no_letter(err, event, sink);
    pawl_code code = check_change(by, reason, err);
    if (code == PAWL_OK)
        code = store->ops->letters_change(store, &change, 1, false, err);
    if (code == PAWL_OK && changed)
        *changed = change.changed;
    return code;
}

pawl_code pw_store_letters_change(pw_store *store, const pw_publish_row *rows, size_t count,
                                  bool requeue, pw_str by, pw_str reason, int64_t now_ms,
                                  uint64_t *changed, pawl_error *err)
{
    PW_STORE_TIMED(store, PUBLISH);
    *changed = 0;
    pawl_code code = check_change(by, reason, err);
    if (code != PAWL_OK || count == 0)
        return code;
    pw_letter_change *changes = pw_zalloc(count * sizeof *changes);
    if (!changes)
        return pw_no_memory(err);
    for (size_t i = 0; i < count; i++)
        changes[i] = (pw_letter_change){ .event = rows[i].event.event.id,
                                         .place = pw_store_letter_place(&rows[i]),
                                         .requeue = requeue,
                                         .by = by.len ? by : PW_LIT("system"),
                                         .reason = reason,
                                         .now_ms = now_ms };
    code = store->ops->letters_change(store, changes, count, true, err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++)
        *changed += changes[i].changed;
    pw_free(changes);
    return code;
}

bool pw_store_letter_may(pw_publish_state state, bool requeue, bool *changes)
{
    *changes = requeue ? state == PW_PUBLISH_DEAD
                       : state == PW_PUBLISH_DEAD || state == PW_PUBLISH_PENDING;
    return *changes || state == (requeue ? PW_PUBLISH_PENDING : PW_PUBLISH_DISCARDED);
}
