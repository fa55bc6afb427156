/* letters.c - dead letters and sinks, for people: events that could not be published, and what
 * becomes of them. */
#include "engine/engine.h"
#include "base/json.h"
#include "base/moment.h"

enum { PAGE = 500 }; /* letters of one transaction, of a change of many */

/* ------------------------------------------------------------------ what is shown */

static pw_object_builder describe(const pw_publish_row *row, pw_arena *arena)
{
    pw_object_builder o = { .arena = arena };
    pw_show_text(&o, "event", row->event.event.id);
    pw_show_text(&o, "sink", row->sink);
    pw_show_text(&o, "instance", row->event.instance);
    pw_show_text(&o, "namespace", row->namespace_);
    pw_show_text(&o, "name", row->name);
    pw_show_text(&o, "type", row->event.event.type);
    pw_show_text(&o, "source", row->event.event.source);
    pw_show_text(&o, "state", pw_str_of(pw_publish_state_name(row->state)));
    pw_show_count(&o, "attempts", row->attempts);
    pw_show_text(&o, "error", row->error);
    pw_object_add(&o, PW_LIT("requeued"), pw_bool(row->requeued));
    pw_show_moment(&o, "createdAt", row->created_ms);
    pw_show_moment(&o, "nextAt", row->next_ms);
    pw_show_moment(&o, "endedAt", row->ended_ms);
    pw_show_text(&o, "by", row->by);
    pw_show_text(&o, "reason", row->reason);
    return o;
}

static pawl_code give_one(const pw_publish_row *row, char **out, pw_arena *arena, pawl_error *err)
{
    pw_object_builder object = describe(row, arena);
    pw_value payload;
    pawl_code code = pw_stored_json(&payload, row->event.event.payload, arena, "payload", err);
    if (code != PAWL_OK)
        return pw_error_context(err, code, "event '" PW_FMT "'", PW_ARG(row->event.event.id));
    pw_object_add(&object, PW_LIT("payload"), payload);
    return pw_give_json(out, pw_object_end(&object), arena, err);
}

/* ------------------------------------------------------------------ the list */

static pawl_code read_filter(pw_letter_filter *out, bool *none, const pawl_letters_options *given,
                             pw_arena *arena, pawl_error *err)
{
    pawl_letters_options options;
    pawl_code code =
        pw_options_take(&options, sizeof options, given, false, "pawl_letters_options", err);
    if (code != PAWL_OK)
        return code;
    *out = (pw_letter_filter){ .sink = pw_str_of(options.sink),
                               .instance = pw_str_of(options.instance),
                               .type = pw_str_of(options.type),
                               .all = options.all != 0,
                               .after = pw_str_of(options.after) };
    code = pw_page_check(&out->limit, options.limit, "dead letters", err);
    return code == PAWL_OK
               ? pw_names_read(&out->namespaces, &out->namespace_count, none, options.namespaces,
                               "dead letters: namespaces", arena, err)
               : code;
}

static pawl_code list(pawl *p, const pawl_letters_options *options, char **out, pw_arena *arena,
                      pawl_error *err)
{
    pw_letter_filter filter;
    pw_publish_row *rows = NULL;
    size_t count = 0;
    pw_str next = { 0 };
    bool none = false;
    pw_array_builder page = { .arena = arena };
    pawl_code code = read_filter(&filter, &none, options, arena, err);
    if (code == PAWL_OK && !none)
        code = pw_store_letters(p->store, &filter, &rows, &count, &next, arena, err);
    if (code != PAWL_OK)
        return code;
    for (size_t i = 0; i < count; i++) {
        pw_object_builder object = describe(&rows[i], arena);
        pw_array_add(&page, pw_object_end(&object));
    }
    pw_object_builder object = { .arena = arena };
    pw_object_add(&object, PW_LIT("letters"), pw_array_end(&page));
    pw_show_text(&object, "next", next);
    return pw_give_json(out, pw_object_end(&object), arena, err);
}

pawl_code pawl_letters(pawl *p, const pawl_letters_options *options, char **out, pawl_error *err)
{
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "dead letters: the pawl or out is NULL");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_code code = list(p, options, out, &arena, err);
    pw_arena_done(&arena);
    return code;
}

pawl_code pawl_letter(pawl *p, const char *event, const char *sink, char **out, pawl_error *err)
{
    if (!p || !out || !event)
        return pw_fail(err, PAWL_INVALID, "dead letter: the pawl, the event or out is NULL");
    pw_publish_row row;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_code code =
        pw_store_letter_get(p->store, pw_str_of(event), pw_str_of(sink), &row, &arena, err);
    if (code == PAWL_OK)
        code = give_one(&row, out, &arena, err);
    pw_arena_done(&arena);
    return code;
}

/* ------------------------------------------------------------------ requeued, discarded */

typedef struct change {
    bool requeue;
    pw_str by, reason;
    int64_t now_ms;
    uint64_t changed;
} change;

/* sink empty: the only one at which it is dead. */
static pawl_code change_one(pawl *p, change *c, pw_str event, pw_str sink, pw_arena *arena,
                            pawl_error *err)
{
    pw_publish_row row;
    bool changed = false;
    pawl_code code =
        sink.len ? PAWL_OK : pw_store_letter_get(p->store, event, sink, &row, arena, err);
    if (code == PAWL_OK)
        code = pw_store_letter_change(p->store, event, sink.len ? sink : row.sink, c->requeue,
                                      c->by, c->reason, c->now_ms, &changed, err);
    c->changed = changed;
    return code;
}

/* From the newest on, page by page: what a crash leaves is done by who asks again. What becomes a
 * dead letter meanwhile is newer, and is not met again. */
static pawl_code change_many(pawl *p, change *c, const pawl_letters_options *options,
                             pw_arena *arena, pawl_error *err)
{
    pw_letter_filter filter;
    bool none = false;
    pawl_code code = read_filter(&filter, &none, options, arena, err);
    pw_str next = { 0 };
    filter.all = false;
    filter.after = next;
    filter.limit = PAGE;
    while (code == PAWL_OK && !none) {
        pw_arena page;
        pw_publish_row *rows = NULL;
        size_t count = 0;
        uint64_t changed = 0;
        pw_arena_init(&page, 0);
        filter.after = next;
        code = pw_store_letters(p->store, &filter, &rows, &count, &next, &page, err);
        if (code == PAWL_OK)
            code = pw_store_letters_change(p->store, rows, count, c->requeue, c->by, c->reason,
                                           c->now_ms, &changed, err);
        c->changed += changed;
        next = pw_arena_str(arena, next);
        pw_arena_done(&page);
        if (code == PAWL_OK && arena->failed)
            code = pw_no_memory(err);
        none = next.len == 0;
    }
    return code;
}

static pawl_code read_change(change *out, const char *reason, const pawl_request *request,
                             pw_arena *arena, pawl_error *err)
{
    pw_command who = { .code = PAWL_OK };
    pawl_code code =
        pw_text_check(&out->reason, reason, "dead letter: reason", PW_REASON_MAX, false, err);
    if (code == PAWL_OK)
        code = pw_request_read(&who, request, NULL, arena, err);
    out->by = who.event.actor;
    return code;
}

pawl_code pawl_letter_change(pawl *p, const char *event, const char *sink,
                             const pawl_letters_options *filter, int requeue, const char *reason,
                             const pawl_request *request, char **out, pawl_error *err)
{
    change c = { .requeue = requeue != 0 };
    pawl_code code = pw_engine_may_write(p, err);
    if (code != PAWL_OK)
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    c.now_ms = pw_engine_now(p);
    code = read_change(&c, reason, request, &arena, err);
    if (code == PAWL_OK)
        code = event ? change_one(p, &c, pw_str_of(event), pw_str_of(sink), &arena, err)
                     : change_many(p, &c, filter, &arena, err);
    if (c.changed > 0)
        pw_outbox_wake(p->outbox);
    if (code == PAWL_OK && out) {
        const pw_member members[] = { { PW_LIT("changed"), pw_int((int64_t)c.changed) } };
        code = pw_give_json(out, pw_object_of(&arena, members, PW_LENGTH(members)), &arena, err);
    }
    if (code == PAWL_IO)
        pw_committer_suspect(p->committer, err);
    pw_arena_done(&arena);
    return code;
}

/* ------------------------------------------------------------------ sinks */

static pw_value describe_sink(const pw_outbox_sink *sink, const pw_publish_counts *counts,
                              pw_arena *arena)
{
    pw_object_builder o = { .arena = arena };
    pw_show_text(&o, "name", sink ? sink->name : counts->sink);
    pw_show_text(&o, "type", sink ? sink->type : (pw_str){ 0 });
    pw_show_text(&o, "target", sink ? sink->target : (pw_str){ 0 });
    pw_show_text(&o, "state",
             !sink || !sink->tried ? PW_LIT("unknown")
             : sink->failing       ? PW_LIT("failing")
                                   : PW_LIT("up"));
    pw_show_count(&o, "pending", counts ? counts->pending : 0);
    pw_show_count(&o, "dead", counts ? counts->dead : 0);
    pw_show_moment(&o, "oldestAt", counts ? counts->oldest_ms : -1);
    pw_show_count(&o, "published", sink ? sink->published : 0);
    pw_show_count(&o, "failed", sink ? sink->failed : 0);
    pw_show_text(&o, "lastError", sink ? sink->error : (pw_str){ 0 });
    pw_show_moment(&o, "lastAt", sink ? sink->failed_ms : -1);
    return pw_object_end(&o);
}

/* Those that are set up, in their order; then such as have rows and are not set up any more. */
static pawl_code list_sinks(pawl *p, char **out, pw_arena *arena, pawl_error *err)
{
    pw_outbox_sink *sinks = NULL;
    pw_publish_counts *counts = NULL;
    size_t sink_count = 0, count = 0;
    pw_array_builder list = { .arena = arena };
    pawl_code code = pw_outbox_look(p->outbox, &sinks, &sink_count, arena, err);
    if (code == PAWL_OK)
        code = pw_store_publish_count(p->store, &counts, &count, arena, err);
    if (code != PAWL_OK)
        return code;
    for (size_t i = 0; i < sink_count; i++) {
        size_t at = 0;
        while (at < count && !pw_str_eq(counts[at].sink, sinks[i].name))
            at++;
        pw_array_add(&list, describe_sink(&sinks[i], at < count ? &counts[at] : NULL, arena));
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < sink_count && !pw_str_eq(counts[i].sink, sinks[at].name))
            at++;
        if (at == sink_count)
            pw_array_add(&list, describe_sink(NULL, &counts[i], arena));
    }
    const pw_member members[] = { { PW_LIT("sinks"), pw_array_end(&list) } };
    return pw_give_json(out, pw_object_of(arena, members, PW_LENGTH(members)), arena, err);
}

pawl_code pawl_sinks(pawl *p, char **out, pawl_error *err)
{
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "sinks: the pawl or out is NULL");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_code code = list_sinks(p, out, &arena, err);
    pw_arena_done(&arena);
    return code;
}
