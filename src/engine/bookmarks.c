/* bookmarks.c - what waits for people, over all instances, and what they do with it. */
#include <stdio.h>
#include "engine/engine.h"
#include "base/json.h"

enum {
    KEY_MAX = 1024,  /* bytes of a bookmark's key */
    NAME_MAX = 256,  /* ... of a person or a group */
    TEXT_MAX = 4096, /* ... of a comment */
    GROUPS_MAX = 1000,
};

#define LEASE_MAX_MS (UINT64_C(366) * 86400000)

/* ------------------------------------------------------------------ as JSON */

/* whole: with its form and data. */
static pawl_code bookmark_value(pw_value *out, const pw_open_bookmark *of, bool whole, pw_arena *arena, pawl_error *err)
{
    const pw_bookmark_row *row = &of->row;
    const pw_bookmark *b = &row->bookmark;
    pw_object_builder object = { .arena = arena };
    pw_value candidates, payload;
    pawl_code code = pw_stored_json(&candidates, b->candidates, arena, "candidates of a bookmark", err);
    if (code == PAWL_OK)
        code = pw_stored_json(&payload, b->payload, arena, "payload of a bookmark", err);
    if (code != PAWL_OK)
        return code;
    pw_show_text(&object, "instance", of->instance);
    pw_show_text(&object, "namespace", of->namespace_);
    pw_show_text(&object, "name", of->name);
    pw_show_text(&object, "version", of->version);
    pw_show_text(&object, "task", b->task);
    pw_object_add(&object, PW_LIT("visit"), pw_int((int64_t)b->visit));
    pw_show_text(&object, "key", b->key);
    pw_show_text(&object, "kind", pw_str_of(pw_bookmark_kind_name(b->kind)));
    pw_object_add(&object, PW_LIT("open"), pw_bool(row->open));
    pw_object_add(&object, PW_LIT("consumed"), pw_bool(row->consumed));
    pw_show_text(&object, "assignedTo", b->assigned_to);
    pw_object_add(&object, PW_LIT("candidates"), candidates);
    pw_object_add(&object, PW_LIT("title"), pw_get_lit(payload, "title"));
    if (whole) {
        pw_object_add(&object, PW_LIT("form"), pw_get_lit(payload, "form"));
        pw_object_add(&object, PW_LIT("data"), pw_get_lit(payload, "data"));
    }
    if (b->kind == PW_BOOKMARK_USER)
        pw_object_add(&object, PW_LIT("priority"), pw_int(b->priority));
    pw_show_text(&object, "messageType", b->message_type);
    pw_show_moment(&object, "dueAt", b->due_at);
    pw_show_moment(&object, "createdAt", row->created_ms);
    pw_show_moment(&object, "endedAt", row->open ? -1 : row->ended_ms);
    pw_show_text(&object, "endedBy", row->by);
    pw_show_text(&object, "claimedBy", row->claimed_by);
    if (row->claimed_by.len)
        pw_show_moment(&object, "claimedUntil", row->claimed_until);
    pw_object_add(&object, PW_LIT("token"), pw_int((int64_t)of->token));
    *out = pw_object_end(&object);
    return PAWL_OK;
}

/* A claim whose time is over is none. */
static void end_claim(pw_bookmark_row *row, int64_t now_ms)
{
    if (row->claimed_until >= 0 && row->claimed_until <= now_ms)
        row->claimed_by = (pw_str){ "", 0 };
}

/* ------------------------------------------------------------------ one */

static pawl_code look(pawl *p, pw_str id, pw_str key, pw_value *out, pw_arena *arena, pawl_error *err)
{
    pw_open_bookmark of = { .instance = id };
    pw_instance_row row = { 0 };
    pawl_code code = pw_store_instance_get(p->store, id, false, &row, arena, err);
    if (code == PAWL_NOT_FOUND)
        return pw_fail_reason(err, code, PAWL_REASON_NO_INSTANCE, "there is no instance '" PW_FMT "'", PW_ARG(id));
    if (code == PAWL_OK)
        code = pw_store_bookmark_by_key(p->store, id, key, &of.row, arena, err);
    if (code == PAWL_NOT_FOUND)
        return pw_fail_reason(err, code, PAWL_REASON_NO_BOOKMARK, "the instance has no bookmark with the key '" PW_FMT "'",
                              PW_ARG(key));
    if (code != PAWL_OK)
        return code;
    of.namespace_ = row.namespace_;
    of.name = row.name;
    of.version = row.version;
    of.token = row.token;
    end_claim(&of.row, pw_engine_now(p));
    return bookmark_value(out, &of, true, arena, err);
}

static pawl_code give(pawl *p, pw_str id, pw_str key, char **out, pw_arena *arena, pawl_error *err)
{
    pw_value v = { 0 };
    pawl_code code = look(p, id, key, &v, arena, err);
    return code == PAWL_OK ? pw_give_json(out, v, arena, err) : code;
}

pawl_code pawl_bookmark(pawl *p, const char *id, const char *key, char **out, pawl_error *err)
{
    pw_str instance, name;
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "bookmark: the pawl or out is NULL");
    pawl_code code = pw_id_check(&instance, id, err);
    if (code == PAWL_OK)
        code = pw_text_check(&name, key, "bookmark: key", KEY_MAX, true, err);
    if (code != PAWL_OK)
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    code = give(p, instance, name, out, &arena, err);
    pw_arena_done(&arena);
    return code;
}

/* ------------------------------------------------------------------ what people do */

static pawl_code check_change(pw_command *command, const pawl_bookmark_options *given, pawl_error *err)
{
    static const pw_event_kind kinds[] = { [PAWL_BOOKMARK_CLAIM] = PW_EVENT_CLAIM,
                                           [PAWL_BOOKMARK_RELEASE] = PW_EVENT_RELEASE,
                                           [PAWL_BOOKMARK_DELEGATE] = PW_EVENT_DELEGATE,
                                           [PAWL_BOOKMARK_COMMENT] = PW_EVENT_COMMENT };
    pawl_bookmark_options options;
    pw_event *event = &command->event;
    pawl_code code = pw_options_take(&options, sizeof options, given, true, "pawl_bookmark_options", err);
    if (code == PAWL_OK)
        code = pw_id_check(&command->instance, options.id, err);
    if (code == PAWL_OK)
        code = pw_text_check(&event->key, options.key, "bookmark: key", KEY_MAX, true, err);
    if (code != PAWL_OK)
        return code;
    if ((unsigned)options.action >= PW_LENGTH(kinds))
        return pw_fail(err, PAWL_INVALID, "bookmark: the action is none of pawl_bookmark_action");
    event->kind = kinds[options.action];
    if (options.lease_ms > LEASE_MAX_MS)
        return pw_fail(err, PAWL_INVALID, "claim: lease_ms must be at most %llu, 366 days", (unsigned long long)LEASE_MAX_MS);
    if (options.action == PAWL_BOOKMARK_CLAIM)
        command->lease_ms = options.lease_ms;
    if (options.action == PAWL_BOOKMARK_DELEGATE)
        code = pw_text_check(&event->to, options.to, "delegate: to", NAME_MAX, true, err);
    if (options.action == PAWL_BOOKMARK_COMMENT)
        code = pw_text_check(&event->reason, options.text, "comment: text", TEXT_MAX, true, err);
    return code;
}

pawl_code pawl_bookmark_change(pawl *p, const pawl_bookmark_options *options, const pawl_request *request, char **out,
                               pawl_error *err)
{
    pw_command command = { .code = PAWL_OK };
    pawl_code code = pw_engine_may_write(p, err);
    if (code != PAWL_OK)
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    char lease[24] = "";
    code = check_change(&command, options, err);
    if (code == PAWL_OK)
        code = pw_request_read(&command, request, NULL, &arena, err);
    if (code == PAWL_OK && !command.event.actor.len && command.event.kind == PW_EVENT_CLAIM)
        code = pw_fail(err, PAWL_INVALID, "claim: whose is it to be? request.actor is missing");
    if (code == PAWL_OK) {
        (void)snprintf(lease, sizeof lease, "%llu", (unsigned long long)command.lease_ms);
        const pw_str parts[] = { command.event.key, command.event.to, command.event.reason, pw_str_of(lease) };
        code = pw_request_seal(&command, parts, PW_LENGTH(parts), &arena, err);
    }
    if (code == PAWL_OK)
        code = pw_command_send(p, &command, err);
    if (code == PAWL_OK && out)
        code = give(p, command.instance, command.event.key, out, &arena, err);
    pw_arena_done(&arena);
    return code;
}

/* ------------------------------------------------------------------ many */

static pawl_code read_person(pw_bookmark_filter *out, const pawl_bookmarks_options *options, pw_arena *arena,
                             pawl_error *err)
{
    if (options->group_count > GROUPS_MAX || (options->group_count && !options->groups))
        return pw_fail(err, PAWL_INVALID, "bookmarks: groups are %zu; at most %d, in an array", options->group_count,
                       GROUPS_MAX);
    pw_str *groups = PW_NEW_ARRAY(arena, pw_str, options->group_count + 1);
    if (!groups)
        return pw_no_memory(err);
    pawl_code code = PAWL_OK;
    if (options->person)
        code = pw_text_check(&out->person, options->person, "bookmarks: person", NAME_MAX, true, err);
    for (size_t i = 0; i < options->group_count && code == PAWL_OK; i++)
        code = pw_text_check(&groups[i], options->groups[i], "bookmarks: a group", NAME_MAX, true, err);
    out->groups = groups;
    out->group_count = options->group_count;
    return code;
}

static pawl_code read_filter(pw_bookmark_filter *out, bool *none, const pawl_bookmarks_options *given, pw_arena *arena,
                             pawl_error *err)
{
    static const pw_bookmark_kind kinds[] = { PW_BOOKMARK_USER, PW_BOOKMARK_TIMER, PW_BOOKMARK_MESSAGE, PW_BOOKMARK_CHILD };
    pawl_bookmarks_options options;
    pawl_code code = pw_options_take(&options, sizeof options, given, false, "pawl_bookmarks_options", err);
    if (code != PAWL_OK)
        return code;
    *out = (pw_bookmark_filter){ .instance = pw_str_of(options.instance), .after = pw_str_of(options.after) };
    pw_name_split(&out->namespace_, &out->name, options.name);
    code = pw_page_check(&out->limit, options.limit, "bookmarks", err);
    size_t at = 0;
    while (options.kind && at < PW_LENGTH(kinds) && strcmp(options.kind, pw_bookmark_kind_name(kinds[at])) != 0)
        at++;
    if (code == PAWL_OK && at == PW_LENGTH(kinds))
        code = pw_fail(err, PAWL_INVALID,
                       "bookmarks: kind is user-action, timer, external-message or child, not '%.40s'", options.kind);
    out->by_kind = options.kind != NULL;
    if (out->by_kind && code == PAWL_OK)
        out->kind = kinds[at];
    if (code == PAWL_OK)
        code = pw_names_read(&out->namespaces, &out->namespace_count, none, options.namespaces, "bookmarks: namespaces",
                             arena, err);
    if (code == PAWL_OK)
        code = read_person(out, &options, arena, err);
    /* what is a person's is a user action */
    *none = *none || (out->person.len && out->by_kind && out->kind != PW_BOOKMARK_USER);
    return code;
}

pawl_code pawl_bookmarks(pawl *p, const pawl_bookmarks_options *options, char **out, pawl_error *err)
{
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "bookmarks: the pawl or out is NULL");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_bookmark_filter filter;
    pw_open_bookmark *rows = NULL;
    size_t count = 0;
    pw_str next = { 0 };
    bool none = false;
    pw_array_builder list = { .arena = &arena };
    pawl_code code = read_filter(&filter, &none, options, &arena, err);
    if (code == PAWL_OK && !none)
        code = pw_store_open_bookmarks(p->store, &filter, &rows, &count, &next, &arena, err);
    int64_t now = pw_engine_now(p);
    for (size_t i = 0; i < count && code == PAWL_OK; i++) {
        pw_value v = { 0 };
        end_claim(&rows[i].row, now);
        code = bookmark_value(&v, &rows[i], false, &arena, err);
        pw_array_add(&list, v);
    }
    if (code == PAWL_OK) {
        pw_object_builder page = { .arena = &arena };
        pw_object_add(&page, PW_LIT("bookmarks"), pw_array_end(&list));
        pw_show_text(&page, "next", next);
        code = pw_give_json(out, pw_object_end(&page), &arena, err);
    }
    pw_arena_done(&arena);
    return code;
}
