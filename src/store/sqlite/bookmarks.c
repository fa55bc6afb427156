/* bookmarks.c - bookmarks: what a step opens, changes and ends, and lists of what is open.
 *
 * A list by age or of all tasks runs along an index of what is open. That of a person is several
 * lists, each with its index: its own, those of its groups, and that of everybody. Their first rows
 * are merged here, so a page costs what it holds, for each of the lists at most, and not what there
 * is. It takes several statements, in one read transaction that ends with the call. */
#include "store/sqlite/reading.h"

/* ---- rows of a step */

/* Into the lists of those who may do it. */
static int put_people(pw_sqlite *store, pw_str instance, const pw_bookmark *b, int64_t created_ms)
{
    pw_arena arena;
    pw_str *who = NULL;
    size_t count = 0;
    const pw_open_bookmark open = { .row = { .bookmark = *b, .created_ms = created_ms },
                                    .instance = instance };
    const pw_open_place at = pw_store_place_of(&open, true);
    pw_arena_init(&arena, 0);
    int rc = pw_store_who(&who, &count, b, &arena) ? SQLITE_OK : SQLITE_NOMEM;
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
        pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_BOOKMARK_PERSON_PUT);
        pw_bind_text(&q, 1, who[i]);
        pw_bind_int(&q, 2, at.rank);
        pw_bind_int(&q, 3, at.due_rank);
        pw_bind_int(&q, 4, at.created_ms);
        pw_bind_text(&q, 5, at.instance);
        pw_bind_int(&q, 6, (int64_t)at.visit);
        pw_bind_text(&q, 7, at.key);
        rc = pw_sqlite_write(store, &q, NULL);
    }
    pw_arena_done(&arena);
    return rc;
}

static int drop_people(pw_sqlite *store, pw_str instance, uint64_t visit, pw_str key)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_BOOKMARK_PERSON_DROP);
    pw_bind_text(&q, 1, instance);
    pw_bind_int(&q, 2, (int64_t)visit);
    pw_bind_text(&q, 3, key);
    return pw_sqlite_write(store, &q, NULL);
}

int pw_sqlite_bookmark_put(pw_sqlite *store, const pw_commit_item *item, const pw_bookmark *b)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_BOOKMARK_PUT);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_int(&q, 2, (int64_t)b->visit);
    pw_bind_text(&q, 3, b->key);
    pw_bind_text(&q, 4, pw_str_of(pw_bookmark_kind_name(b->kind)));
    pw_bind_text(&q, 5, b->task);
    pw_bind_optional(&q, 6, b->assigned_to);
    pw_bind_optional(&q, 7, b->candidates);
    pw_bind_optional(&q, 8, b->message_type);
    if (b->due_at >= 0)
        pw_bind_int(&q, 9, b->due_at);
    else
        pw_bind_null(&q, 9);
    pw_bind_optional(&q, 10, b->payload);
    pw_bind_int(&q, 11, item->now_ms);
    pw_bind_int(&q, 12, b->priority);
    int rc = pw_sqlite_write(store, &q, NULL);
    return rc == SQLITE_OK && b->kind == PW_BOOKMARK_USER
               ? put_people(store, item->instance, b, item->now_ms)
               : rc;
}

/* What is to be known of an open one before it changes. */
typedef struct before {
    bool found, in_lists;
    pw_bookmark bookmark;
    int64_t created_ms;
} before;

static int look_before(pw_sqlite *store, const pw_commit_item *item, const pw_bookmark_change *to,
                       before *out, pw_arena *arena)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_BOOKMARK_BEFORE);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_int(&q, 2, (int64_t)to->visit);
    pw_bind_text(&q, 3, to->key);
    pw_bind_optional(&q, 4, to->assigned_to);
    *out = (before){ .found = pw_query_row(&q) };
    if (out->found) {
        out->in_lists = pw_column_int(&q, 0, 0) && !pw_column_int(&q, 1, 0);
        out->bookmark = (pw_bookmark){ .kind = PW_BOOKMARK_USER,
                                       .visit = to->visit,
                                       .key = to->key,
                                       .assigned_to = to->assigned_to,
                                       .candidates = pw_column_text(&q, 2, arena),
                                       .due_at = pw_column_int(&q, 3, -1),
                                       .priority = (int32_t)pw_column_int(&q, 5, 0) };
        out->created_ms = pw_column_int(&q, 4, 0);
    }
    int rc = pw_sqlite_looked(store, &q);
    return rc == SQLITE_OK && arena->failed ? SQLITE_NOMEM : rc;
}

int pw_sqlite_bookmark_change(pw_sqlite *store, pw_commit_item *item, const pw_bookmark_change *to)
{
    pw_arena arena;
    before was;
    pw_arena_init(&arena, 0);
    int rc = look_before(store, item, to, &was, &arena);
    if (rc == SQLITE_OK && !was.found)
        (void)pw_store_bookmark_not_there(item, to);
    if (rc == SQLITE_OK && was.found) {
        pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_BOOKMARK_CHANGE);
        pw_bind_text(&q, 1, item->instance);
        pw_bind_int(&q, 2, (int64_t)to->visit);
        pw_bind_text(&q, 3, to->key);
        pw_bind_optional(&q, 4, to->assigned_to);
        pw_bind_optional(&q, 5, to->claimed_by);
        if (to->claimed_by.len > 0 && to->claimed_until >= 0)
            pw_bind_int(&q, 6, to->claimed_until);
        else
            pw_bind_null(&q, 6);
        rc = pw_sqlite_write(store, &q, NULL);
    }
    if (rc == SQLITE_OK && was.in_lists)
        rc = drop_people(store, item->instance, to->visit, to->key);
    if (rc == SQLITE_OK && was.in_lists)
        rc = put_people(store, item->instance, &was.bookmark, was.created_ms);
    pw_arena_done(&arena);
    return rc;
}

int pw_sqlite_bookmark_end(pw_sqlite *store, pw_commit_item *item, const pw_bookmark_end *end)
{
    enum { FOR_MESSAGES = 1, FOR_A_PERSON = 2 };
    int64_t waited = 0;
    bool ended = false;
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_BOOKMARK_END);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_int(&q, 2, (int64_t)end->visit);
    pw_bind_text(&q, 3, end->key);
    pw_bind_int(&q, 4, item->now_ms);
    pw_bind_int(&q, 5, end->consumed ? 1 : 0);
    pw_bind_optional(&q, 6, end->by);
    pw_bind_optional(&q, 7, end->digest);
    int rc = pw_sqlite_write_returning(store, &q, &waited, &ended);
    if (rc == SQLITE_OK && !ended)
        (void)pw_store_bookmark_not_open(item, end);
    if (rc == SQLITE_OK && waited == FOR_MESSAGES)
        return pw_sqlite_subscriptions_end(store, item, end->visit);
    return rc == SQLITE_OK && waited == FOR_A_PERSON
               ? drop_people(store, item->instance, end->visit, end->key)
               : rc;
}

int pw_sqlite_bookmarks_end_all(pw_sqlite *store, const pw_commit_item *item)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_BOOKMARKS_END);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_int(&q, 2, item->now_ms);
    int rc = pw_sqlite_write(store, &q, NULL);
    if (rc != SQLITE_OK)
        return rc;
    q = pw_query_begin(&store->writer, PW_SQLITE_SQL_BOOKMARK_PERSON_DROP_ALL);
    pw_bind_text(&q, 1, item->instance);
    return pw_sqlite_write(store, &q, NULL);
}

/* ---- of one instance */

static bool bookmark_kind_parse(pw_bookmark_kind *out, pw_str name)
{
    for (unsigned kind = PW_BOOKMARK_USER; kind <= PW_BOOKMARK_CHILD; kind++) {
        if (pw_str_is(name, pw_bookmark_kind_name((pw_bookmark_kind)kind))) {
            *out = (pw_bookmark_kind)kind;
            return true;
        }
    }
    return false;
}

static void read_bookmark(reading *r, pw_str instance, pw_bookmark_row *row)
{
    static const char table[] = "bookmark";
    pw_bookmark *b = &row->bookmark;
    if (!bookmark_kind_parse(&b->kind, text(r, 0)))
        bad_row(r, table, instance, "its kind is none that this program knows");
    b->task = text(r, 1);
    b->visit = natural(r, 2, table, instance, "its visit is negative");
    b->key = text(r, 3);
    b->assigned_to = text(r, 4);
    b->candidates = text(r, 5);
    b->message_type = text(r, 6);
    b->due_at = pw_column_int(&r->query, 7, -1);
    b->payload = text(r, 8);
    row->created_ms = integer(r, 9);
    row->ended_ms = pw_column_int(&r->query, 10, -1);
    row->open = row->ended_ms == -1;
    row->consumed = integer(r, 11) != 0;
    row->by = text(r, 12);
    row->digest = text(r, 13);
    int64_t priority = integer(r, 14);
    if (priority < INT32_MIN || priority > INT32_MAX)
        bad_row(r, table, instance, "its priority is out of range");
    b->priority = (int32_t)priority;
    row->claimed_by = text(r, 15);
    row->claimed_until = pw_column_int(&r->query, 16, -1);
}

pawl_code pw_sqlite_bookmarks(pw_store *base, pw_str instance, bool open_only,
                              pw_bookmark_row **out, size_t *count, pw_arena *arena,
                              pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(
        &r, base, open_only ? PW_SQLITE_SQL_BOOKMARKS_OPEN : PW_SQLITE_SQL_BOOKMARKS, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, instance);
    rows list = { .size = sizeof(pw_bookmark_row) };
    while (next(&r)) {
        pw_bookmark_row *row = add(&r, &list);
        if (row)
            read_bookmark(&r, instance, row);
    }
    code = read_end(&r);
    *out = list.items;
    *count = list.count;
    return code;
}

pawl_code pw_sqlite_bookmark_by_key(pw_store *base, pw_str instance, pw_str key,
                                    pw_bookmark_row *out, pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_BOOKMARK_BY_KEY, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, instance);
    pw_bind_text(&r.query, 2, key);
    pw_bookmark_row row = { .open = false };
    bool found = next(&r);
    if (found)
        read_bookmark(&r, instance, &row);
    code = read_end(&r);
    if (code == PAWL_OK && !found)
        return pw_store_not_found(err, "bookmark", key);
    if (code == PAWL_OK)
        *out = row;
    return code;
}

/* ---- lists of what is open */

typedef struct listing {
    reading r;
    const pw_bookmark_filter *filter;
    const pw_open_place *behind;
    uint32_t limit;
    pw_buf namespaces, people; /* bound */
} listing;

/* What all lists have in common. */
static void bind_list(listing *l)
{
    pw_query *q = &l->r.query;
    pw_bind_int(q, 1, l->behind->rank);
    pw_bind_int(q, 2, l->behind->due_rank);
    pw_bind_int(q, 3, l->behind->created_ms);
    pw_bind_text(q, 4, l->behind->instance);
    pw_bind_int(q, 5, (int64_t)l->behind->visit);
    pw_bind_text(q, 6, l->behind->key);
    pw_bind_int(q, 7, l->limit);
    pw_bind_optional(q, 8, l->filter->namespace_);
    pw_bind_optional(q, 9, l->filter->name);
    pw_bind_buf(q, 10, &l->namespaces);
}

static void read_open(reading *r, rows *list)
{
    while (next(r)) {
        pw_open_bookmark *row = add(r, list);
        if (!row)
            break;
        row->instance = text(r, 17);
        row->namespace_ = text(r, 18);
        row->name = text(r, 19);
        row->version = text(r, 20);
        row->token = natural(r, 21, "instance", row->instance, "its token is negative");
        read_bookmark(r, row->instance, &row->row);
    }
}

static pw_sqlite_sql choose(const pw_bookmark_filter *filter, bool tasks)
{
    if (filter->instance.len > 0)
        return PW_SQLITE_SQL_OPEN_INSTANCE;
    if (filter->person.len > 0)
        return PW_SQLITE_SQL_READ_BEGIN;
    if (tasks)
        return PW_SQLITE_SQL_OPEN_TASKS;
    return filter->by_kind ? PW_SQLITE_SQL_OPEN_KIND : PW_SQLITE_SQL_OPEN_ANY;
}

/* All but a person's. */
static void list_plain(listing *l, pw_sqlite_sql sql, rows *list)
{
    pw_query *q = &l->r.query;
    bind_list(l);
    if (sql == PW_SQLITE_SQL_OPEN_KIND ||
        (sql == PW_SQLITE_SQL_OPEN_INSTANCE && l->filter->by_kind))
        pw_bind_text(q, 11, pw_str_of(pw_bookmark_kind_name(l->filter->kind)));
    else if (sql == PW_SQLITE_SQL_OPEN_INSTANCE)
        pw_bind_null(q, 11);
    if (sql == PW_SQLITE_SQL_OPEN_INSTANCE) {
        pw_bind_text(q, 12, l->filter->instance);
        pw_bind_buf(q, 13, &l->people);
        pw_bind_int(q, 14, l->behind->tasks);
    }
    read_open(&l->r, list);
}

/* Puts a place where it belongs, each once; what is beyond the limit goes. */
static void put_place(listing *l, pw_open_place *places, size_t *count, const pw_open_place *it)
{
    size_t at = *count;
    while (at > 0 && pw_store_place_cmp(&places[at - 1], it) > 0)
        at--;
    if (at > 0 && pw_store_place_cmp(&places[at - 1], it) == 0)
        return;
    if (*count < l->limit)
        ++*count;
    memmove(&places[at + 1], &places[at], (*count - at - 1) * sizeof *places);
    places[at] = *it;
    places[at].instance = pw_arena_str(l->r.arena, it->instance);
    places[at].key = pw_arena_str(l->r.arena, it->key);
}

static pw_str view(const pw_query *q, int at) /* until the next row */
{
    const void *bytes = sqlite3_column_blob(q->statement, at);
    return (pw_str){ bytes ? bytes : "", (size_t)sqlite3_column_bytes(q->statement, at) };
}

/* Of one person, group or everybody: as long as it is before the last place that is known. */
static void read_places(listing *l, pw_str who, pw_open_place *places, size_t *count)
{
    reading *r = &l->r;
    bind_list(l);
    pw_bind_text(&r->query, 11, who);
    while (next(r)) {
        const pw_open_place it = {
            .tasks = true,
            .rank = integer(r, 0),
            .due_rank = integer(r, 1),
            .created_ms = integer(r, 2),
            .instance = view(&r->query, 3),
            .visit = natural(r, 4, "bookmark_person", who, "its visit is negative"),
            .key = view(&r->query, 5),
        };
        if (*count == l->limit && pw_store_place_cmp(&places[*count - 1], &it) <= 0)
            break;
        put_place(l, places, count, &it);
    }
}

/* Ends a statement of a reading, and begins the next. */
static bool again(reading *r, pw_sqlite_sql sql)
{
    if (pw_query_end(&r->query) != SQLITE_OK)
        return false;
    r->query = pw_query_begin(&r->reader->connection, sql);
    return true;
}

static void list_person(listing *l, const pw_str *people, size_t people_count, rows *list)
{
    reading *r = &l->r;
    size_t count = 0;
    pw_open_place *places = PW_NEW_ARRAY(r->arena, pw_open_place, l->limit);
    bool good = places != NULL;
    (void)pw_query_row(&r->query); /* BEGIN */
    for (size_t i = 0; good && i < people_count; i++) {
        good = again(r, PW_SQLITE_SQL_OPEN_PERSON);
        if (good)
            read_places(l, people[i], places, &count);
    }
    for (size_t i = 0; good && i < count; i++) {
        good = again(r, PW_SQLITE_SQL_OPEN_AT);
        if (good) {
            pw_bind_text(&r->query, 1, places[i].instance);
            pw_bind_int(&r->query, 2, (int64_t)places[i].visit);
            pw_bind_text(&r->query, 3, places[i].key);
            read_open(r, list);
        }
    }
    if (again(r, PW_SQLITE_SQL_COMMIT)) /* else the reader is closed */
        (void)pw_query_row(&r->query);
}

pawl_code pw_sqlite_open_bookmarks(pw_store *base, const pw_bookmark_filter *filter,
                                   const pw_open_place *behind, const pw_str *people,
                                   size_t people_count, uint32_t limit, pw_open_bookmark **out,
                                   size_t *count, pw_arena *arena, pawl_error *err)
{
    listing l = { .filter = filter, .behind = behind, .limit = limit };
    pw_sqlite_sql sql = choose(filter, behind->tasks);
    rows list = { .size = sizeof(pw_open_bookmark) };
    pawl_code code = read_begin(&l.r, base, sql, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_write_array(&l.namespaces, filter->namespaces, filter->namespace_count);
    pw_write_array(&l.people, people, people_count);
    if (sql == PW_SQLITE_SQL_READ_BEGIN)
        list_person(&l, people, people_count, &list);
    else
        list_plain(&l, sql, &list);
    code = read_end(&l.r);
    pw_buf_done(&l.namespaces);
    pw_buf_done(&l.people);
    *out = list.items;
    *count = list.count;
    return code;
}
