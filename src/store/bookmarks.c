/* bookmarks.c - what all stores have in common for bookmarks: who may do an open one, the cursors
 * of their lists, and reads as in store.c. */
#include "store/store_internal.h"
#include "base/json.h"

/* ---- who may do it */

static bool add_who(pw_str **out, size_t *count, char kind, pw_value name, pw_arena *arena)
{
    pw_str text = pw_text(name);
    if (text.len == 0)
        return true;
    (*out)[(*count)++] = pw_arena_printf(arena, "%c:" PW_FMT, kind, PW_ARG(text));
    return !arena->failed;
}

bool pw_store_who(pw_str **out, size_t *count, const pw_bookmark *bookmark, pw_arena *arena)
{
    *count = 0;
    if (bookmark->kind != PW_BOOKMARK_USER)
        return true;
    pw_value candidates = { 0 };
    bool assigned = bookmark->assigned_to.len > 0, limited = bookmark->candidates.len > 0;
    if (!assigned && limited &&
        pw_json_parse(&candidates, bookmark->candidates, NULL, arena, NULL) == PAWL_NO_MEMORY)
        return pw_arena_fail(arena, false) != NULL; /* what the parser used, perhaps */
    pw_value users = pw_get_lit(candidates, "users"), groups = pw_get_lit(candidates, "groups");
    size_t user_count = pw_is(users, PW_ARRAY) ? users.count : 0,
           group_count = pw_is(groups, PW_ARRAY) ? groups.count : 0;
    *out = PW_NEW_ARRAY(arena, pw_str, user_count + group_count + 1);
    bool good = *out != NULL;
    if (good && assigned)
        good = add_who(out, count, 'u', pw_string_ref(bookmark->assigned_to), arena);
    for (size_t i = 0; good && i < user_count; i++)
        good = add_who(out, count, 'u', pw_item(users, i), arena);
    for (size_t i = 0; good && i < group_count; i++)
        good = add_who(out, count, 'g', pw_item(groups, i), arena);
    if (good && !assigned && !limited)
        (*out)[(*count)++] = PW_LIT("*");
    return good;
}

/* Whose lists a filter asks for; count 0: nobody's. */
static void wanted_people(pw_str **out, size_t *count, const pw_bookmark_filter *filter,
                          pw_arena *arena)
{
    *count = 0;
    if (filter->person.len == 0 || !(*out = PW_NEW_ARRAY(arena, pw_str, filter->group_count + 2)))
        return;
    (void)add_who(out, count, 'u', pw_string_ref(filter->person), arena);
    for (size_t i = 0; i < filter->group_count; i++)
        (void)add_who(out, count, 'g', pw_string_ref(filter->groups[i]), arena);
    (*out)[(*count)++] = PW_LIT("*");
}

/* ---- cursors: "1t-<rank>-<due rank>-<created>-<visit>-<bytes of the instance>-<instance><key>"
 * for the order of tasks, 1b for that of age */

static bool read_cursor(pw_open_place *out, pw_str cursor)
{
    int64_t visit = 0, len = 0;
    if (!pw_str_starts(cursor, out->tasks ? PW_LIT("1t-") : PW_LIT("1b-")))
        return false;
    cursor = (pw_str){ cursor.ptr + 3, cursor.len - 3 };
    if (!pw_store_take_number(&out->rank, &cursor) ||
        !pw_store_take_number(&out->due_rank, &cursor) ||
        !pw_store_take_number(&out->created_ms, &cursor) ||
        !pw_store_take_number(&visit, &cursor) || !pw_store_take_number(&len, &cursor) ||
        visit < 0 || len < 1 || (uint64_t)len >= cursor.len)
        return false;
    out->visit = (uint64_t)visit;
    out->instance = (pw_str){ cursor.ptr, (size_t)len };
    out->key = (pw_str){ cursor.ptr + len, cursor.len - (size_t)len };
    return true;
}

pw_open_place pw_store_place_of(const pw_open_bookmark *open, bool tasks)
{
    const pw_bookmark *b = &open->row.bookmark;
    return (pw_open_place){ .tasks = tasks,
                            .rank = tasks ? -(int64_t)b->priority : 0,
                            .due_rank = !tasks          ? 0
                                        : b->due_at < 0 ? INT64_MAX
                                                        : b->due_at,
                            .created_ms = open->row.created_ms,
                            .instance = open->instance,
                            .visit = b->visit,
                            .key = b->key };
}

static pw_str write_cursor(const pw_open_bookmark *last, bool tasks, pw_arena *arena)
{
    const pw_open_place at = pw_store_place_of(last, tasks);
    return pw_arena_printf(arena, "1%c-%lld-%lld-%lld-%llu-%zu-" PW_FMT PW_FMT, tasks ? 't' : 'b',
                           (long long)at.rank, (long long)at.due_rank, (long long)at.created_ms,
                           (unsigned long long)at.visit, at.instance.len, PW_ARG(at.instance),
                           PW_ARG(at.key));
}

static int by_number(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

int pw_store_place_cmp(const pw_open_place *a, const pw_open_place *b)
{
    int order = by_number(a->rank, b->rank);
    order = order ? order : by_number(a->due_rank, b->due_rank);
    order = order ? order : by_number(a->created_ms, b->created_ms);
    order = order ? order : pw_str_cmp(a->instance, b->instance);
    order = order ? order : (a->visit > b->visit) - (a->visit < b->visit);
    return order ? order : pw_str_cmp(a->key, b->key);
}

/* ---- reads */

pawl_code pw_store_bookmarks(pw_store *store, pw_str instance, bool open_only,
                             pw_bookmark_row **out, size_t *count, pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, ROWS);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->bookmarks(store, instance, open_only, out, count, arena, err);
    return pw_store_read_leave(call, code, err);
}

pawl_code pw_store_bookmark_by_key(pw_store *store, pw_str instance, pw_str key,
                                   pw_bookmark_row *out, pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, ROWS);
    pw_arena_call call = pw_store_read_enter(arena);
    pawl_code code = store->ops->bookmark_by_key(store, instance, key, out, arena, err);
    return pw_store_read_leave(call, code, err);
}

static pawl_code check_filter(const pw_bookmark_filter *filter, pawl_error *err)
{
    if (filter->limit < 1 || filter->limit > PW_PAGE_MAX)
        return pw_fail(err, PAWL_INVALID, "a page has 1 to %u rows, not %u", PW_PAGE_MAX,
                       filter->limit);
    bool good = pw_store_fits(filter->person, 0, PW_PERSON_MAX) && pw_utf8_valid(filter->person);
    for (size_t i = 0; good && i < filter->group_count; i++)
        good =
            pw_store_fits(filter->groups[i], 0, PW_PERSON_MAX) && pw_utf8_valid(filter->groups[i]);
    if (!good)
        return pw_fail(
            err, PAWL_INVALID,
            "a person's or group's name must have at most 512 bytes of UTF-8 and no NUL");
    return pw_store_check_namespaces(filter->namespaces, filter->namespace_count, err);
}

pawl_code pw_store_open_bookmarks(pw_store *store, const pw_bookmark_filter *filter,
                                  pw_open_bookmark **out, size_t *count, pw_str *next,
                                  pw_arena *arena, pawl_error *err)
{
    PW_STORE_TIMED(store, LIST);
    pawl_code code = check_filter(filter, err);
    if (code != PAWL_OK)
        return code;
    bool tasks = filter->person.len > 0 || (filter->by_kind && filter->kind == PW_BOOKMARK_USER);
    pw_open_place behind = { .tasks = tasks,
                             .rank = INT64_MIN,
                             .created_ms = INT64_MIN,
                             .instance = PW_LIT(""),
                             .key = PW_LIT("") };
    if (filter->after.len > 0 && !read_cursor(&behind, filter->after))
        return pw_fail(err, PAWL_INVALID, "'" PW_FMT "' is not the \"next\" of a page before",
                       PW_ARG(pw_store_cut(filter->after, 100)));
    pw_arena_call call = pw_store_read_enter(arena);
    pw_open_bookmark *rows = NULL;
    pw_str *people = NULL;
    size_t got = 0, people_count = 0;
    wanted_people(&people, &people_count, filter, arena);
    /* Nothing but user tasks is a person's. One more than asked tells whether there is a next page.
     */
    if (!arena->failed && !(tasks && filter->by_kind && filter->kind != PW_BOOKMARK_USER))
        code = store->ops->open_bookmarks(store, filter, &behind, people, people_count,
                                          filter->limit + 1, &rows, &got, arena, err);
    pw_str cursor = { "", 0 };
    if (code == PAWL_OK && got > filter->limit) {
        got = filter->limit;
        cursor = write_cursor(&rows[got - 1], tasks, arena);
    }
    code = pw_store_read_leave(call, code, err);
    if (code != PAWL_OK)
        return code;
    *out = rows;
    *count = got;
    *next = cursor;
    return PAWL_OK;
}
