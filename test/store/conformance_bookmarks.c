/* conformance_bookmarks.c - what both stores promise about bookmarks: claims, assignments, and
 * lists of what is open. */
#include "conformance.h"

/* ---- fixture */

static pw_bookmark task_of(uint64_t visit, const char *key)
{
    return (pw_bookmark){ .kind = PW_BOOKMARK_USER,
                          .task = S("/do/0/ask"),
                          .visit = visit,
                          .key = S(key),
                          .due_at = -1,
                          .payload = S("{\"title\":\"Ask\"}") };
}

static pw_transition opens(pw_bookmark *bookmarks, size_t count)
{
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.bookmarks = bookmarks;
    t.bookmark_count = count;
    return t;
}

/* A new instance of shop/order with these open. */
static void have_open(fixture *f, const char *id, int64_t now_ms, pw_bookmark *bookmarks,
                      size_t count)
{
    pw_transition t = opens(bookmarks, count);
    step(f, id, 0, &t, now_ms);
}

/* With one task, named by its key. */
static void have_task(fixture *f, const char *id, int64_t now_ms, pw_bookmark task)
{
    have_open(f, id, now_ms, &task, 1);
}

static pawl_code list(fixture *f, const pw_bookmark_filter *filter, pw_open_bookmark **rows,
                      size_t *count, pw_str *next)
{
    return pw_store_open_bookmarks(f->store, filter, rows, count, next, &f->arena, &f->err);
}

/* "instance/key ..." of one page; *next is its cursor. */
static const char *page(fixture *f, pw_bookmark_filter filter, pw_str *next)
{
    static char text[4096];
    pw_open_bookmark *rows = NULL;
    size_t count = 0, at = 0;
    if (filter.limit == 0)
        filter.limit = 100;
    EXPECT_OK(list(f, &filter, &rows, &count, next), f->err);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s/%.*s", i ? " " : "",
                               (int)rows[i].instance.len, rows[i].instance.ptr,
                               (int)rows[i].row.bookmark.key.len, rows[i].row.bookmark.key.ptr);
    return text;
}

/* All pages of so many. */
static const char *pages(fixture *f, pw_bookmark_filter filter, uint32_t limit)
{
    static char text[8192];
    size_t at = 0;
    pw_str next = { "", 0 };
    filter.limit = limit;
    text[0] = '\0';
    do {
        filter.after = next;
        const char *one = page(f, filter, &next);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", at ? " | " : "", one);
    } while (next.len > 0);
    return text;
}

static const char *all(fixture *f, pw_bookmark_filter filter)
{
    pw_str next;
    const char *text = page(f, filter, &next);
    EXPECT_INT(next.len, 0);
    return text;
}

/* The tasks of a person with up to two groups. */
static const char *tasks_of(fixture *f, const char *person, const char *group, const char *other)
{
    const pw_str groups[] = { S(group), S(other) };
    return all(f, (pw_bookmark_filter){ .person = S(person),
                                        .groups = groups,
                                        .group_count = !*group  ? 0
                                                       : *other ? 2
                                                                : 1 });
}

static pw_bookmark_row by_key(fixture *f, const char *instance, const char *key)
{
    pw_bookmark_row row;
    EXPECT_OK(pw_store_bookmark_by_key(f->store, S(instance), S(key), &row, &f->arena, &f->err),
              f->err);
    return row;
}

/* ---- claims and assignments */

STORE_TEST(a_claim_an_assignment_and_their_end_are_read_back)
{
    have_definition(f);
    pw_bookmark ask = task_of(1, "k");
    ask.assigned_to = S("ann");
    ask.priority = 7;
    have_task(f, "i1", 1000, ask);
    pw_bookmark_row row = by_key(f, "i1", "k");
    EXPECT_INT(row.bookmark.priority, 7);
    EXPECT_STR(row.claimed_by, "");
    EXPECT_INT(row.claimed_until, -1);

    pw_bookmark_change change = { .visit = 1,
                                  .key = S("k"),
                                  .assigned_to = S("bob"),
                                  .claimed_by = S("bob"),
                                  .claimed_until = 9000 };
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.bookmark_changes = &change;
    t.bookmark_change_count = 1;
    step(f, "i1", 1, &t, 2000);
    restart(f);
    row = by_key(f, "i1", "k");
    EXPECT_STR(row.bookmark.assigned_to, "bob");
    EXPECT_STR(row.claimed_by, "bob");
    EXPECT_INT(row.claimed_until, 9000);
    EXPECT(row.open);
    EXPECT_INT(row.created_ms, 1000);

    change.claimed_until = -1; /* until it is released */
    step(f, "i1", 2, &t, 3000);
    row = by_key(f, "i1", "k");
    EXPECT_STR(row.claimed_by, "bob");
    EXPECT_INT(row.claimed_until, -1);

    change.claimed_by = change.assigned_to = S("");
    change.claimed_until = 9000; /* of nobody's claim */
    step(f, "i1", 3, &t, 4000);
    row = by_key(f, "i1", "k");
    EXPECT_STR(row.bookmark.assigned_to, "");
    EXPECT_STR(row.claimed_by, "");
    EXPECT_INT(row.claimed_until, -1);
}

STORE_TEST(a_change_of_a_bookmark_that_is_not_open_is_corrupt)
{
    have_definition(f);
    have_task(f, "i1", 1000, task_of(1, "k"));
    pw_bookmark_change change = { .visit = 2, .key = S("k"), .claimed_until = -1 };
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.bookmark_changes = &change;
    t.bookmark_change_count = 1;
    pw_commit_item item = item_of("i1", 1, &t, 2000);
    EXPECT_INT(commit_one(f, &item), PAWL_CORRUPT);
    EXPECT_TEXT(item.error.message,
                "instance 'i1': bookmark 'k' of visit 2 is not open: its state and "
                "its rows do not agree");
    change.visit = 1;
    pw_bookmark_end end = { .visit = 1, .key = S("k") };
    t.bookmark_ends = &end;
    t.bookmark_end_count = 1;
    step(f, "i1", 1, &t, 2000); /* changed, then ended */
    t.bookmark_end_count = 0;
    item = item_of("i1", 2, &t, 3000);
    EXPECT_INT(commit_one(f, &item), PAWL_CORRUPT);
    EXPECT_INT(get(f, "i1").token, 2);
}

STORE_TEST(a_change_that_makes_no_sense_is_refused)
{
    have_definition(f);
    have_task(f, "i1", 1000, task_of(1, "k"));
    char name[PW_PERSON_MAX + 1];
    memset(name, 'n', sizeof name);
    pw_bookmark_change change = { .visit = 1, .key = S("k"), .claimed_until = -1 };
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.bookmark_changes = &change;
    t.bookmark_change_count = 1;
    pw_commit_item item = item_of("i1", 1, &t, 2000);
    change.claimed_by = (pw_str){ name, PW_PERSON_MAX + 1 };
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    EXPECT_TEXT(item.error.message,
                "instance 'i1': a person's name must have at most 512 bytes and no NUL");
    change.claimed_by = (pw_str){ "a\0", 2 };
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    change.claimed_by = change.assigned_to = (pw_str){ name, PW_PERSON_MAX };
    change.visit = (uint64_t)INT64_MAX + 1;
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    change.visit = 1;
    must_commit(f, &item);
}

/* ---- a person's tasks */

STORE_TEST(a_person_sees_what_is_assigned_to_it_or_open_to_it_its_groups_or_everybody)
{
    have_definition(f);
    pw_bookmark task = task_of(1, "t");
    task.candidates = S("{\"users\":[\"ann\"],\"groups\":[\"sales\"]}");
    have_task(f, "both", 1000, task);
    task.candidates = S("{\"groups\":[\"sales\",\"law\"]}");
    have_task(f, "groups", 2000, task);
    task.assigned_to = S("bob"); /* whoever else was a candidate */
    have_task(f, "bobs", 3000, task);
    have_task(f, "open", 4000, task_of(1, "t"));
    task = task_of(1, "t");
    task.candidates = S("{\"users\":[],\"groups\":[\"\",7]}"); /* names nobody: nobody's */
    have_task(f, "empty", 5000, task);
    task.candidates = S("{\"users\":[\"ann\",\"ann\"]}");
    have_task(f, "anns", 6000, task);
    restart(f);
    EXPECT_TEXT(tasks_of(f, "ann", "", ""), "both/t open/t anns/t");
    EXPECT_TEXT(tasks_of(f, "ann", "sales", ""),
                "both/t groups/t open/t anns/t"); /* each once */
    EXPECT_TEXT(tasks_of(f, "ann", "sales", "law"), "both/t groups/t open/t anns/t");
    EXPECT_TEXT(tasks_of(f, "bob", "", ""), "bobs/t open/t");
    EXPECT_TEXT(tasks_of(f, "bob", "law", ""), "groups/t bobs/t open/t");
    EXPECT_TEXT(tasks_of(f, "eve", "", ""), "open/t");
    EXPECT_TEXT(tasks_of(f, "sales", "", ""), "open/t"); /* a person of a group's name */
    EXPECT_TEXT(tasks_of(f, "eve", "ann", ""), "open/t");
}

STORE_TEST(a_task_moves_to_the_lists_of_its_new_assignee_and_leaves_them_at_its_end)
{
    have_definition(f);
    pw_bookmark task = task_of(1, "t");
    task.candidates = S("{\"groups\":[\"sales\"]}");
    task.priority = 3;
    have_task(f, "i1", 1000, task);
    pw_bookmark_change change = { .visit = 1, .key = S("t"), .claimed_until = -1 };
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.bookmark_changes = &change;
    t.bookmark_change_count = 1;
    change.claimed_by = S("ann"); /* who has claimed it changes nothing of this */
    step(f, "i1", 1, &t, 2000);
    EXPECT_TEXT(tasks_of(f, "bob", "sales", ""), "i1/t");
    change.assigned_to = S("ann");
    step(f, "i1", 2, &t, 3000);
    restart(f);
    EXPECT_TEXT(tasks_of(f, "bob", "sales", ""), "");
    EXPECT_TEXT(tasks_of(f, "ann", "", ""), "i1/t");
    change.assigned_to = S("bob");
    step(f, "i1", 3, &t, 4000);
    EXPECT_TEXT(tasks_of(f, "ann", "", ""), "");
    EXPECT_TEXT(tasks_of(f, "bob", "", ""), "i1/t");
    change.assigned_to = S(""); /* its candidates again */
    step(f, "i1", 4, &t, 5000);
    EXPECT_TEXT(tasks_of(f, "bob", "", ""), "");
    EXPECT_TEXT(tasks_of(f, "eve", "sales", ""), "i1/t");
    pw_bookmark_end end = { .visit = 1, .key = S("t"), .consumed = true, .by = S("eve") };
    t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.bookmark_ends = &end;
    t.bookmark_end_count = 1;
    step(f, "i1", 5, &t, 6000);
    EXPECT_TEXT(tasks_of(f, "eve", "sales", ""), "");
    EXPECT_TEXT(all(f, (pw_bookmark_filter){ .limit = 9 }), "");
}

STORE_TEST(the_end_of_an_instance_ends_the_bookmarks_that_it_leaves_open)
{
    have_definition(f);
    pw_bookmark three[] = { task_of(1, "a"), task_of(2, "b"), task_of(3, "c") };
    three[1].kind = PW_BOOKMARK_CHILD;
    three[2].assigned_to = S("ann");
    have_open(f, "i1", 1000, three, 3);
    have_task(f, "i2", 1000, task_of(1, "a"));
    pw_bookmark_end end = { .visit = 1, .key = S("a"), .consumed = true, .by = S("ann") };
    pw_transition t = transition(PW_CANCELLED, PW_WAKE_NEVER, "{}");
    t.bookmark_ends = &end;
    t.bookmark_end_count = 1;
    step(f, "i1", 1, &t, 2000);
    restart(f);
    pw_bookmark_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_bookmarks(f->store, S("i1"), false, &rows, &count, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 3);
    EXPECT(rows[0].consumed && !rows[1].consumed && !rows[2].consumed);
    for (size_t i = 0; i < count; i++) {
        EXPECT(!rows[i].open);
        EXPECT_INT(rows[i].ended_ms, 2000);
    }
    EXPECT_TEXT(tasks_of(f, "ann", "", ""), "i2/a");
    EXPECT_TEXT(all(f, (pw_bookmark_filter){ .limit = 9 }), "i2/a");
}

STORE_TEST(an_instance_that_opens_a_bookmark_in_the_step_that_ends_it_leaves_none_open)
{
    have_definition(f);
    pw_bookmark task = task_of(1, "a");
    pw_transition t = opens(&task, 1);
    t.status = PW_COMPLETED;
    step(f, "i1", 0, &t, 1000);
    EXPECT(!by_key(f, "i1", "a").open);
    EXPECT_TEXT(tasks_of(f, "ann", "", ""), "");
    have_instance(f, "i2", 1000);
    step(f, "i2", 1, &t, 2000);
    EXPECT(!by_key(f, "i2", "a").open);
    EXPECT_TEXT(tasks_of(f, "ann", "", ""), "");
}

STORE_TEST(the_end_of_an_instance_that_has_none_open_costs_two_rows)
{
    have_definition(f);
    have_task(f, "i1", 1000, task_of(1, "a"));
    pw_bookmark_end end = { .visit = 1, .key = S("a"), .consumed = true, .by = S("ann") };
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.bookmark_ends = &end;
    t.bookmark_end_count = 1;
    step(f, "i1", 1, &t, 2000);
    pw_transition ends = transition(PW_COMPLETED, PW_WAKE_NEVER, "{}");
    pw_store_counts before = counts(f);
    step(f, "i1", 2, &ends, 3000);
    EXPECT_INT(counts(f).rows - before.rows, 2);
}

/* ---- order and pages */

static void have_urgent(fixture *f)
{
    have_definition(f);
    pw_bookmark task = task_of(1, "t");
    have_task(f, "old", 1000, task);
    have_task(f, "new", 2000, task);
    task.due_at = 9000;
    have_task(f, "due9", 3000, task);
    task.due_at = 0;
    have_task(f, "due0", 3000, task);
    task.priority = 5;
    task.due_at = -1;
    have_task(f, "p5", 4000, task);
    task.priority = INT32_MAX;
    have_task(f, "most", 5000, task);
    task.priority = INT32_MIN;
    have_task(f, "least", 500, task);
    pw_bookmark two[] = { task_of(2, "a"), task_of(10, "a"), task_of(10, "b") };
    have_open(f, "many", 1000, two, 3);
}

STORE_TEST(tasks_come_by_priority_due_date_and_age)
{
    have_urgent(f);
    static const char order[] =
        "most/t p5/t due0/t due9/t many/a many/a many/b old/t new/t least/t";
    EXPECT_TEXT(tasks_of(f, "ann", "", ""), order);
    EXPECT_TEXT(all(f, (pw_bookmark_filter){ .by_kind = true, .kind = PW_BOOKMARK_USER }), order);
    EXPECT_TEXT(all(f, (pw_bookmark_filter){ .limit = 50 }),
                "least/t many/a many/a many/b old/t new/t due0/t due9/t p5/t most/t");
}

STORE_TEST(pages_of_open_bookmarks_miss_nothing_and_give_nothing_twice)
{
    have_urgent(f);
    static const char tasks[] =
        "most/t p5/t due0/t | due9/t many/a many/a | many/b old/t new/t | least/t";
    EXPECT_TEXT(pages(f, (pw_bookmark_filter){ .person = S("ann") }, 3), tasks);
    EXPECT_TEXT(pages(f, (pw_bookmark_filter){ .by_kind = true, .kind = PW_BOOKMARK_USER }, 3),
                tasks);
    EXPECT_TEXT(pages(f, (pw_bookmark_filter){ .limit = 1 }, 4),
                "least/t many/a many/a many/b | old/t new/t due0/t due9/t | p5/t most/t");
    EXPECT_TEXT(pages(f, (pw_bookmark_filter){ .instance = S("many"), .person = S("ann") }, 1),
                "many/a | many/a | many/b");
    EXPECT_TEXT(pages(f, (pw_bookmark_filter){ .instance = S("many") }, 2),
                "many/a many/a | many/b");
}

STORE_TEST(a_page_of_a_person_with_groups_takes_each_list_from_where_it_was)
{
    have_definition(f);
    pw_bookmark task = task_of(1, "t");
    static const char *const candidates[] = { "{\"users\":[\"ann\"]}", "{\"groups\":[\"g\"]}",
                                              "{\"groups\":[\"h\"]}",
                                              "{\"users\":[\"ann\"],\"groups\":[\"g\",\"h\"]}",
                                              "" };
    for (int i = 0; i < 25; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "%02d", i);
        task.candidates = S(candidates[i % 5]);
        have_task(f, id, 1000 + i, task);
    }
    const pw_str groups[] = { S("g"), S("h"), S("g"), S("") };
    const pw_bookmark_filter filter = { .person = S("ann"), .groups = groups, .group_count = 4 };
    EXPECT_TEXT(pages(f, filter, 7),
                "00/t 01/t 02/t 03/t 04/t 05/t 06/t | 07/t 08/t 09/t 10/t 11/t 12/t 13/t | "
                "14/t 15/t 16/t 17/t 18/t 19/t 20/t | 21/t 22/t 23/t 24/t");
    EXPECT_TEXT(
        pages(f, (pw_bookmark_filter){ .person = S("bob"), .groups = groups, .group_count = 1 }, 9),
        "01/t 03/t 04/t 06/t 08/t 09/t 11/t 13/t 14/t | 16/t 18/t 19/t 21/t 23/t 24/t");
}

/* ---- filters */

STORE_TEST(open_bookmarks_are_filtered_by_kind_instance_name_and_namespaces)
{
    have_definition(f);
    bool created = false;
    EXPECT_OK(put_definition(f, "depot", "parcel", "2.0.0", "digest-9", &created), f->err);
    pw_bookmark four[] = { task_of(1, "u"), task_of(2, "t"), task_of(3, "m"), task_of(4, "c") };
    four[1].kind = PW_BOOKMARK_TIMER;
    four[2].kind = PW_BOOKMARK_MESSAGE;
    four[2].message_type = S("paid");
    four[3].kind = PW_BOOKMARK_CHILD;
    have_open(f, "i1", 1000, four, 4);
    pw_instance_new n = order_new;
    n.namespace_ = S("depot");
    n.name = S("parcel");
    n.version = S("2.0.0");
    pw_transition t = opens(four, 3);
    pw_commit_item item = item_of("i2", 0, &t, 500);
    item.create = &n;
    must_commit(f, &item);
    restart(f);
    EXPECT_TEXT(all(f, (pw_bookmark_filter){ .limit = 9 }), "i2/u i2/t i2/m i1/u i1/t i1/m i1/c");
    EXPECT_TEXT(pages(f, (pw_bookmark_filter){ .limit = 9 }, 2),
                "i2/u i2/t | i2/m i1/u | i1/t i1/m | i1/c");
    static const char *const of_kind[] = { "i2/u i1/u", "i2/t i1/t", "i2/m i1/m", "i1/c" };
    for (unsigned kind = 0; kind < 4; kind++)
        EXPECT_TEXT(all(f, (pw_bookmark_filter){ .by_kind = true, .kind = (pw_bookmark_kind)kind }),
                    of_kind[kind]);
    EXPECT_TEXT(all(f, (pw_bookmark_filter){ .instance = S("i1") }), "i1/u i1/t i1/m i1/c");
    EXPECT_TEXT(all(f, (pw_bookmark_filter){ .instance = S("i1"),
                                             .by_kind = true,
                                             .kind = PW_BOOKMARK_CHILD }),
                "i1/c");
    EXPECT_TEXT(all(f, (pw_bookmark_filter){ .instance = S("i1"), .person = S("ann") }), "i1/u");
    EXPECT_TEXT(all(f, (pw_bookmark_filter){ .instance = S("nobody") }), "");
    EXPECT_TEXT(all(f, (pw_bookmark_filter){ .name = S("parcel") }), "i2/u i2/t i2/m");
    EXPECT_TEXT(all(f, (pw_bookmark_filter){ .namespace_ = S("shop"),
                                             .name = S("order"),
                                             .person = S("ann") }),
                "i1/u");
    EXPECT_TEXT(all(f, (pw_bookmark_filter){ .namespace_ = S("shop"), .name = S("parcel") }), "");
    const pw_str namespaces[] = { S("depot"), S("no \"such\"") };
    const pw_bookmark_filter depot = { .namespaces = namespaces, .namespace_count = 2 };
    EXPECT_TEXT(all(f, depot), "i2/u i2/t i2/m");
    pw_bookmark_filter people = depot;
    people.person = S("ann");
    EXPECT_TEXT(all(f, people), "i2/u");
    people.by_kind = true;
    people.kind = PW_BOOKMARK_TIMER; /* is nobody's */
    EXPECT_TEXT(all(f, people), "");

    pw_open_bookmark *rows = NULL;
    size_t count = 0;
    pw_str next;
    EXPECT_OK(
        list(f, &(pw_bookmark_filter){ .limit = 1, .by_kind = true, .kind = PW_BOOKMARK_MESSAGE },
             &rows, &count, &next),
        f->err);
    EXPECT_INT(count, 1);
    EXPECT_STR(rows[0].instance, "i2");
    EXPECT_STR(rows[0].namespace_, "depot");
    EXPECT_STR(rows[0].name, "parcel");
    EXPECT_STR(rows[0].version, "2.0.0");
    EXPECT_INT(rows[0].token, 1);
    EXPECT_STR(rows[0].row.bookmark.task, "/do/0/ask");
    EXPECT_STR(rows[0].row.bookmark.message_type, "paid");
    EXPECT_STR(rows[0].row.bookmark.payload, "{\"title\":\"Ask\"}");
    EXPECT_INT(rows[0].row.bookmark.visit, 3);
    EXPECT_INT(rows[0].row.bookmark.due_at, -1);
    EXPECT_INT(rows[0].row.created_ms, 500);
    EXPECT(rows[0].row.open);
}

STORE_TEST(a_filter_or_cursor_of_bookmarks_that_makes_no_sense_is_refused)
{
    pw_open_bookmark *rows = NULL;
    size_t count = 7;
    pw_str next = { "", 0 };
    pw_bookmark_filter filter = { .limit = 0 };
    EXPECT_INT(list(f, &filter, &rows, &count, &next), PAWL_INVALID);
    EXPECT_TEXT(f->err.message, "a page has 1 to 1000 rows, not 0");
    filter.limit = 1001;
    EXPECT_INT(list(f, &filter, &rows, &count, &next), PAWL_INVALID);
    filter.limit = 1000;
    static const char *const cursors[] = { "x",
                                           "1b-",
                                           "1b-0-0-1-1-1-",
                                           "1b-0-0-1-1-1-i",
                                           "1b-0-0-1-1-0-ik",
                                           "1b-0-0-1--1-1-ik",
                                           "1b-0-0-1-1-2-ik",
                                           "1b-0-0-1-99999999999999999999-1-ik",
                                           "1b-0-0-1-9999999999999999999-1-ik",
                                           "1b--0-1-1-1-ik",
                                           "1b-0-0-1-1-ik",
                                           "1t-0-0-1-1-1-ik",
                                           "2b-0-0-1-1-1-ik" };
    for (size_t i = 0; i < PW_LENGTH(cursors); i++) {
        filter.after = S(cursors[i]);
        EXPECT_INT(list(f, &filter, &rows, &count, &next), PAWL_INVALID);
        EXPECT_CONTAINS(f->err.message, "is not the \"next\" of a page before");
    }
    EXPECT_INT(count, 7);
    filter.after = S("1b-0-0-1-1-1-ik");
    EXPECT_OK(list(f, &filter, &rows, &count, &next), f->err);
    EXPECT_INT(count, 0);
    filter.person = S("ann"); /* of the other order */
    EXPECT_INT(list(f, &filter, &rows, &count, &next), PAWL_INVALID);
    filter.after = S("1t--5-9223372036854775807-1-1-1-ik");
    EXPECT_OK(list(f, &filter, &rows, &count, &next), f->err);
    filter.after = S("");
    char name[PW_PERSON_MAX + 1];
    memset(name, 'n', sizeof name);
    filter.person = (pw_str){ name, PW_PERSON_MAX };
    EXPECT_OK(list(f, &filter, &rows, &count, &next), f->err);
    filter.person.len++;
    EXPECT_INT(list(f, &filter, &rows, &count, &next), PAWL_INVALID);
    EXPECT_TEXT(f->err.message,
                "a person's or group's name must have at most 512 bytes of UTF-8 and no NUL");
    filter.person = S("ann");
    const pw_str bad[] = { S("good"), S("\xff") };
    filter.groups = bad;
    filter.group_count = 2;
    EXPECT_INT(list(f, &filter, &rows, &count, &next), PAWL_INVALID);
    filter.group_count = 0;
    filter.namespaces = bad;
    filter.namespace_count = 2;
    EXPECT_INT(list(f, &filter, &rows, &count, &next), PAWL_INVALID);
    EXPECT_TEXT(f->err.message, "a namespace to look for is not UTF-8");
}

/* ---- memory */

STORE_TEST(memory_that_runs_out_in_a_list_or_a_change_is_reported)
{
    have_definition(f);
    pw_bookmark task = task_of(1, "t");
    task.candidates = S("{\"users\":[\"ann\"],\"groups\":[\"g\"]}");
    pw_transition t = opens(&task, 1);
    bool done = false;
    for (uint64_t n = 1; n < 1000 && !done; n++) {
        pw_commit_item item = item_of("i1", 0, &t, 1000);
        pw_alloc_fail_after(n);
        pawl_code code = pw_store_commit(f->store, &item, 1, &f->err);
        pw_alloc_fail_after(0);
        done = code == PAWL_OK && item.code == PAWL_OK;
        EXPECT(done || code == PAWL_NO_MEMORY);
    }
    EXPECT(done);
    pw_bookmark_change change = {
        .visit = 1, .key = S("t"), .assigned_to = S("bob"), .claimed_until = -1
    };
    t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.bookmark_changes = &change;
    t.bookmark_change_count = 1;
    done = false;
    for (uint64_t n = 1; n < 1000 && !done; n++) {
        pw_commit_item item = item_of("i1", 1, &t, 2000);
        pw_alloc_fail_after(n);
        pawl_code code = pw_store_commit(f->store, &item, 1, &f->err);
        pw_alloc_fail_after(0);
        done = code == PAWL_OK && item.code == PAWL_OK;
        EXPECT(done || code == PAWL_NO_MEMORY);
        EXPECT_TEXT(tasks_of(f, "eve", "g", ""), done ? "" : "i1/t");
        EXPECT_TEXT(tasks_of(f, "bob", "", ""), done ? "i1/t" : "");
    }
    EXPECT(done);
    const pw_str groups[] = { S("g") };
    const pw_str namespaces[] = { S("shop") };
    const pw_bookmark_filter filters[] = {
        { .limit = 9,
          .person = S("bob"),
          .groups = groups,
          .group_count = 1,
          .namespaces = namespaces,
          .namespace_count = 1 },
        { .limit = 9, .namespaces = namespaces, .namespace_count = 1 },
        { .limit = 9, .person = S("bob"), .instance = S("i1") },
    };
    for (size_t i = 0; i < PW_LENGTH(filters); i++) {
        bool read = false;
        for (uint64_t n = 1; n < 1000 && !read; n++) {
            pw_arena arena;
            pw_arena_init(&arena, 0);
            pw_open_bookmark *rows = NULL;
            size_t count = 0;
            pw_str next;
            pw_alloc_fail_after(n);
            pawl_code code = pw_store_open_bookmarks(f->store, &filters[i], &rows, &count, &next,
                                                     &arena, &f->err);
            pw_alloc_fail_after(0);
            read = code == PAWL_OK;
            EXPECT(read ? count == 1 : code == PAWL_NO_MEMORY);
            pw_arena_done(&arena);
        }
        EXPECT(read);
    }
}

TEST_MAIN()
