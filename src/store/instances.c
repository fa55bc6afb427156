/* instances.c - what all stores have in common for finding, counting and deleting instances: what a
 * filter may hold, cursors, labels, and what is said. */
#include "store/store_internal.h"
#include "base/json.h"

/* ---- what is said */

pawl_code pw_store_not_ended(pawl_error *err, pw_str id)
{
    return pw_fail_reason(err, PAWL_STATE, PAWL_REASON_NOT_ENDED,
                          "instance '" PW_FMT "' has not ended: cancel it first, or wait",
                          PW_ARG(pw_store_cut(id, PW_ID_MAX)));
}

pawl_code pw_store_moved_on(pawl_error *err, pw_str id, uint64_t token)
{
    return pw_fail_reason(err, PAWL_CONFLICT, PAWL_REASON_STALE_TOKEN,
                          "instance '" PW_FMT "' has moved on from step %llu: read it again",
                          PW_ARG(pw_store_cut(id, PW_ID_MAX)), (unsigned long long)token);
}

/* ---- labels */

static bool refuse_labels(pw_commit_item *item, const char *what)
{
    item->code = pw_fail(&item->error, PAWL_INVALID, "instance '" PW_FMT "': %s",
                         PW_ARG(pw_store_cut(item->instance, PW_ID_MAX)), what);
    return true;
}

bool pw_store_labels(pw_label **out, size_t *count, pw_commit_item *item, pw_arena *arena)
{
    static const char no_object[] = "its labels are no JSON object of strings";
    *count = 0;
    pw_str text = item->create ? item->create->labels : (pw_str){ "", 0 };
    if (text.len == 0)
        return true;
    pw_value labels;
    pawl_code code = pw_json_parse(&labels, text, NULL, arena, NULL);
    if (code == PAWL_NO_MEMORY)
        return pw_arena_fail(arena, false) != NULL; /* what the parser used, perhaps */
    if (code != PAWL_OK || !pw_is(labels, PW_OBJECT))
        return refuse_labels(item, no_object);
    if (labels.count > PW_LABELS_MAX)
        return refuse_labels(item, "it has more than 64 labels");
    const pw_member *members = pw_members(labels);
    *out = PW_NEW_ARRAY(arena, pw_label, labels.count);
    for (size_t i = 0; *out && i < labels.count; i++) {
        pw_label *label = &(*out)[i];
        *label = (pw_label){ members[i].key, pw_text(members[i].value) };
        if (!pw_is(members[i].value, PW_STRING))
            return refuse_labels(item, no_object);
        if (!pw_store_fits(label->name, 1, PW_LABEL_MAX) ||
            !pw_store_fits(label->value, 0, PW_LABEL_MAX))
            return refuse_labels(item, "a label's name must have 1 to 256 bytes, its value at most "
                                       "256, and no NUL");
    }
    *count = labels.count;
    return *out || labels.count == 0;
}

/* ---- filters */

pawl_code pw_store_check_namespaces(const pw_str *namespaces, size_t count, pawl_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!pw_utf8_valid(namespaces[i]))
            return pw_fail(err, PAWL_INVALID, "a namespace to look for is not UTF-8");
    return PAWL_OK;
}

pawl_code pw_store_check_labels(const pw_label *labels, size_t count, pawl_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!pw_store_fits(labels[i].name, 1, PW_LABEL_MAX) ||
            !pw_store_fits(labels[i].value, 0, PW_LABEL_MAX) || !pw_utf8_valid(labels[i].name) ||
            !pw_utf8_valid(labels[i].value))
            return pw_fail(err, PAWL_INVALID,
                           "a label's name must have 1 to 256 bytes of UTF-8, its value at most "
                           "256, and no NUL");
    return PAWL_OK;
}

static pawl_code check_filter(const pw_instance_filter *filter, pawl_error *err)
{
    pawl_code code = pw_store_check_labels(filter->labels, filter->label_count, err);
    return code == PAWL_OK
               ? pw_store_check_namespaces(filter->namespaces, filter->namespace_count, err)
               : code;
}

/* ---- lists and counts */

/* A cursor is the place of the last row given: "1-<created_ms>-<id>". The 1 is its format. */
static bool cursor_parse(int64_t *created_ms, pw_str *id, pw_str cursor)
{
    if (!pw_str_starts(cursor, PW_LIT("1-")))
        return false;
    size_t at = 2;
    bool negative = at < cursor.len && cursor.ptr[at] == '-';
    if (negative)
        at++;
    size_t digits = 0;
    int64_t ms = 0;
    for (; at < cursor.len && cursor.ptr[at] >= '0' && cursor.ptr[at] <= '9'; at++) {
        if (++digits > 18)
            return false;
        ms = ms * 10 + (cursor.ptr[at] - '0');
    }
    if (digits == 0 || at + 1 >= cursor.len || cursor.ptr[at] != '-')
        return false;
    *created_ms = negative ? -ms : ms;
    *id = (pw_str){ cursor.ptr + at + 1, cursor.len - at - 1 };
    return true;
}

pawl_code pw_store_instance_list(pw_store *store, const pw_instance_filter *filter,
                                 pw_instance_row **out, size_t *count, pw_str *next,
                                 pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, LIST);
    if (filter->limit < 1 || filter->limit > PW_PAGE_MAX)
        return pw_fail(err, PAWL_INVALID, "a page has 1 to %u rows, not %u", PW_PAGE_MAX,
                       filter->limit);
    pawl_code code = check_filter(filter, err);
    if (code != PAWL_OK)
        return code;
    int64_t created_ms = INT64_MAX;
    pw_str id = { "", 0 };
    if (filter->after.len > 0 && !cursor_parse(&created_ms, &id, filter->after))
        return pw_fail(err, PAWL_INVALID, "'" PW_FMT "' is not the \"next\" of a page before",
                       PW_ARG(pw_store_cut(filter->after, 100)));
    pw_arena_call call = pw_store_read_enter(arena);
    pw_instance_row *rows = NULL;
    size_t got = 0;
    /* One more than asked tells whether there is a next page. */
    code = store->ops->instance_list(store, filter, created_ms, id, filter->limit + 1, &rows, &got,
                                     arena, err);
    pw_str cursor = { "", 0 };
    if (code == PAWL_OK && got > filter->limit) {
        got = filter->limit;
        cursor = pw_arena_printf(arena, "1-%lld-" PW_FMT, (long long)rows[got - 1].created_ms,
                                 PW_ARG(rows[got - 1].id));
    }
    code = pw_store_read_leave(call, code, err);
    if (code != PAWL_OK)
        return code;
    *out = rows;
    *count = got;
    *next = cursor;
    return PAWL_OK;
}

pawl_code pw_store_instance_count(pw_store *store, const pw_instance_filter *filter,
                                  uint64_t counts[PW_STATUS_COUNT], pawl_error *err)
{
    PW_STORE_TIMED(store, LIST);
    pawl_code code = check_filter(filter, err);
    if (code != PAWL_OK)
        return code;
    pw_instance_filter any_status = *filter;
    any_status.by_status = false;
    uint64_t found[PW_STATUS_COUNT] = { 0 };
    code = store->ops->instance_count(store, &any_status, found, err);
    if (code == PAWL_OK)
        memcpy(counts, found, sizeof found);
    return code;
}

pawl_code pw_store_instance_delete(pw_store *store, pw_str id, uint64_t token, pawl_error *err)
{
    PW_STORE_TIMED(store, DELETE);
    return store->ops->instance_delete(store, id, token, err);
}
