/* foresee.c - what a command would do: the transition that core has made of it, told before it is thrown away. Nothing of
 * it is committed, begun or remembered. */
#include "engine/engine.h"
#include "base/json.h"
#include "base/patch.h"

typedef struct foresight {
    pawl *p;
    const pw_live *live;
    const pw_transition *t;
    pw_arena *arena;
    pw_buf buf;
    bool first; /* of the list that is being written */
} foresight;

static void begin_list(foresight *f, const char *name)
{
    pw_buf_printf(&f->buf, ",\"%s\":[", name);
    f->first = true;
}

/* Names and texts, in pairs; an empty text is left out. */
static void begin_item(foresight *f)
{
    pw_buf_text(&f->buf, f->first ? "{" : ",{");
    f->first = true;
}

static void add_text(foresight *f, const char *name, pw_str text)
{
    if (!text.len)
        return;
    pw_buf_printf(&f->buf, "%s\"%s\":", f->first ? "" : ",", name);
    pw_json_write_string(&f->buf, text);
    f->first = false;
}

static void end_item(foresight *f)
{
    pw_buf_char(&f->buf, '}');
    f->first = false;
}

/* ------------------------------------------------------------------ what would begin */

/* What is sent once more is in the store only. */
static pawl_code add_call(foresight *f, const pw_call_intent *intent, pawl_error *err)
{
    pw_call_row row = { .intent = *intent };
    pawl_code code = intent->again ? pw_store_call_get(f->p->store, pw_live_id(f->live), intent->key, &row, f->arena, err)
                                   : PAWL_OK;
    if (code != PAWL_OK && code != PAWL_NOT_FOUND)
        return code;
    begin_item(f);
    add_text(f, "task", intent->task);
    add_text(f, "method", row.intent.method);
    add_text(f, "endpoint", row.intent.endpoint);
    pw_buf_printf(&f->buf, "%s\"again\":%s", f->first ? "" : ",", intent->again ? "true" : "false");
    end_item(f);
    return PAWL_OK;
}

static pawl_code add_begun(foresight *f, pawl_error *err)
{
    const pw_transition *t = f->t;
    pawl_code code = PAWL_OK;
    begin_list(f, "calls");
    for (size_t i = 0; i < t->call_count && code == PAWL_OK; i++)
        code = add_call(f, &t->calls[i], err);
    pw_buf_char(&f->buf, ']');
    begin_list(f, "jobs");
    for (size_t i = 0; i < t->work_count; i++) {
        if (t->work[i].cancel)
            continue;
        begin_item(f);
        add_text(f, "task", t->work[i].task);
        add_text(f, "function", t->work[i].function);
        end_item(f);
    }
    pw_buf_char(&f->buf, ']');
    begin_list(f, "events");
    for (size_t i = 0; i < t->event_count; i++) {
        begin_item(f);
        add_text(f, "type", t->events[i].type);
        end_item(f);
    }
    pw_buf_char(&f->buf, ']');
    begin_list(f, "bookmarks");
    for (size_t i = 0; i < t->bookmark_count; i++) {
        begin_item(f);
        add_text(f, "task", t->bookmarks[i].task);
        add_text(f, "kind", pw_str_of(pw_bookmark_kind_name(t->bookmarks[i].kind)));
        add_text(f, "key", t->bookmarks[i].key);
        end_item(f);
    }
    pw_buf_char(&f->buf, ']');
    begin_list(f, "messages");
    for (size_t i = 0; i < t->message_count; i++) {
        begin_item(f);
        add_text(f, "kind", t->messages[i].kind);
        add_text(f, "instance", t->messages[i].target);
        end_item(f);
    }
    pw_buf_char(&f->buf, ']');
    return code;
}

/* ------------------------------------------------------------------ what would end */

static void add_closed(foresight *f, const char *kind, pw_str key)
{
    begin_item(f);
    add_text(f, "kind", pw_str_of(kind));
    add_text(f, "key", key);
    end_item(f);
}

static pawl_code add_ended(foresight *f, pawl_error *err)
{
    const pw_transition *t = f->t;
    begin_list(f, "closes");
    for (size_t i = 0; i < t->bookmark_end_count; i++) {
        pw_bookmark_row row;
        pw_str key = t->bookmark_ends[i].key;
        pawl_code code = pw_store_bookmark_by_key(f->p->store, pw_live_id(f->live), key, &row, f->arena, err);
        if (code == PAWL_NOT_FOUND) /* opened by this same step */
            continue;
        if (code != PAWL_OK)
            return code;
        add_closed(f, pw_bookmark_kind_name(row.bookmark.kind), key);
    }
    for (size_t i = 0; i < t->outcome_count; i++)
        if (t->outcomes[i].state == PW_CALL_ABANDONED)
            add_closed(f, "call", t->outcomes[i].key);
    for (size_t i = 0; i < t->work_count; i++)
        if (t->work[i].cancel)
            add_closed(f, "job", t->work[i].key);
    pw_buf_char(&f->buf, ']');
    return PAWL_OK;
}

/* Steps that could be undone behind it. */
static pawl_code add_undo(foresight *f, pawl_error *err)
{
    const pw_transition *t = f->t;
    uint64_t left = 0;
    pawl_code code = PAWL_OK;
    if (pw_state_undo_count(f->live->state) > 0)
        code = pw_plan_left(f->p, pw_live_id(f->live), (pw_str){ 0 }, &left, err);
    for (size_t i = 0; i < t->undo_change_count; i++)
        if (t->undo_changes[i].state >= PW_UNDO_DONE && left > 0)
            left--;
    pw_buf_printf(&f->buf, ",\"undo\":%llu", (unsigned long long)left + t->undo_count);
    return code;
}

/* ------------------------------------------------------------------ the whole */

static void add_log(foresight *f)
{
    const pw_transition *t = f->t;
    pw_buf_text(&f->buf, ",\"entries\":");
    if (pw_is(t->whole_entries, PW_NONE))
        pw_buf_str(&f->buf, t->entries.len ? t->entries : PW_LIT("[]"));
    else
        pw_json_write(&f->buf, t->whole_entries, PW_JSON_COMPACT);
}

static pawl_code add_all(foresight *f, const pw_command *command, pawl_error *err)
{
    const pw_transition *t = f->t;
    const pw_live *live = f->live;
    const bool changed = t->changed;
    pw_buf_text(&f->buf, "{\"id\":");
    pw_json_write_string(&f->buf, pw_live_id(live));
    pw_buf_printf(&f->buf, ",\"token\":%llu,\"dryRun\":true,\"status\":\"%s\",\"repeated\":%s,\"diff\":",
                  (unsigned long long)live->token, pw_status_name(changed ? t->status : live->status),
                  changed ? "false" : "true");
    pw_value before = pw_state_view(live->state, live->program, f->arena);
    pw_value after = changed ? pw_state_view(t->state, live->program, f->arena) : before;
    pw_json_write(&f->buf, pw_patch_diff(before, after, f->arena), PW_JSON_COMPACT);
    add_log(f);
    pawl_code code = add_begun(f, err);
    if (code == PAWL_OK)
        code = add_ended(f, err);
    if (code == PAWL_OK)
        code = add_undo(f, err);
    if (!pw_is(command->done, PW_NONE)) {
        pw_buf_text(&f->buf, ",\"done\":");
        pw_json_write(&f->buf, command->done, PW_JSON_COMPACT);
    }
    pw_buf_char(&f->buf, '}');
    return code;
}

pawl_code pw_foresee(const pw_shard *shard, pw_live *live, const pw_transition *t, pw_command *command, pawl_error *err)
{
    foresight f = { .p = shard->engine, .live = live, .t = t, .arena = &live->arena };
    pw_buf_init(&f.buf, 0);
    pawl_code code = add_all(&f, command, err);
    pw_free(command->foreseen); /* of a try before */
    command->foreseen = code == PAWL_OK && !live->arena.failed ? pw_buf_take(&f.buf) : NULL;
    pw_buf_done(&f.buf);
    return code == PAWL_OK && !command->foreseen ? pw_no_memory(err) : code;
}
