/* conformance_undo.c - compensation plans in every store: what is registered, what becomes of it,
 * how it is read; and instances that leave their end again. */
#include "conformance.h"

enum { KEY_MAX = 1024 };

static pw_undo_step undo(uint64_t ordinal, const char *key)
{
    return (pw_undo_step){ .ordinal = ordinal,
                           .task = S("/do/0/book"),
                           .visit = 10 * ordinal,
                           .key = S(key),
                           .arguments = S("{\"id\":7}"),
                           .state = PW_UNDO_REGISTERED };
}

static pw_undo_change becomes(uint64_t ordinal, pw_undo_state state)
{
    return (pw_undo_change){ .ordinal = ordinal, .state = state };
}

/* The next step of i1. */
static void plan(fixture *f, pw_undo_step *steps, size_t step_count, pw_undo_change *changes,
                 size_t change_count, int64_t now_ms)
{
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.undo = steps;
    t.undo_count = step_count;
    t.undo_changes = changes;
    t.undo_change_count = change_count;
    step(f, "i1", get(f, "i1").token, &t, now_ms);
}

static void have_plan(fixture *f)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
}

/* The code of a step that should not be. */
static pawl_code refused(fixture *f, pw_undo_step *steps, size_t step_count,
                         pw_undo_change *changes, size_t change_count)
{
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{\"refused\":1}");
    t.undo = steps;
    t.undo_count = step_count;
    t.undo_changes = changes;
    t.undo_change_count = change_count;
    uint64_t token = get(f, "i1").token;
    pw_commit_item item = item_of("i1", token, &t, 9000);
    pawl_code code = commit_one(f, &item);
    f->err = item.error;
    EXPECT_INT(get(f, "i1").token, token);
    return code;
}

static pw_undo_row *page(fixture *f, pw_undo_filter filter, size_t *count, bool *more)
{
    pw_undo_row *rows = NULL;
    filter.below = filter.below ? filter.below : UINT64_MAX;
    filter.limit = filter.limit ? filter.limit : PW_PAGE_MAX;
    EXPECT_OK(pw_store_undo(f->store, S("i1"), &filter, &rows, count, more, &f->arena, &f->err),
              f->err);
    EXPECT(*count <= filter.limit);
    return rows;
}

/* "4 registered, 2 done": what a filter lets through, over all pages. */
static const char *listed(fixture *f, pw_undo_filter filter)
{
    static char text[512];
    size_t at = 0, count = 0;
    bool more = true;
    text[0] = '\0';
    while (more) {
        const pw_undo_row *rows = page(f, filter, &count, &more);
        EXPECT(count > 0 || !more);
        for (size_t i = 0; i < count; i++)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%llu %s", at ? ", " : "",
                                   (unsigned long long)rows[i].step.ordinal,
                                   pw_undo_state_name(rows[i].step.state));
        if (count > 0)
            filter.below = rows[count - 1].step.ordinal;
    }
    return text;
}

static const char *all(fixture *f)
{
    return listed(f, (pw_undo_filter){ .limit = 2 });
}

static const unsigned left =
    PW_BIT(PW_UNDO_REGISTERED) | PW_BIT(PW_UNDO_UNKNOWN) | PW_BIT(PW_UNDO_RUNNING);

/* ---- registering */

STORE_TEST(a_step_that_was_registered_is_read_back_whole)
{
    have_plan(f);
    pw_undo_step steps[] = { undo(1, "key-1"), undo(2, "key-2") };
    steps[0].branch = S("4.0/17.2");
    steps[1].state = PW_UNDO_UNKNOWN;
    steps[1].arguments = S("");
    steps[1].error = S("{\"status\":400}");
    steps[1].child = S("child-1");
    plan(f, steps, 2, NULL, 0, 2000);
    restart(f);
    size_t count = 0;
    bool more = true;
    const pw_undo_row *rows = page(f, (pw_undo_filter){ .below = 0 }, &count, &more);
    EXPECT_INT(count, 2);
    EXPECT(!more);
    EXPECT_INT(rows[0].step.ordinal, 2); /* from the highest down */
    EXPECT_STR(rows[0].step.task, "/do/0/book");
    EXPECT_INT(rows[0].step.visit, 20);
    EXPECT_STR(rows[0].step.key, "key-2");
    EXPECT_STR(rows[0].step.branch, "");
    EXPECT_STR(rows[0].step.arguments, "");
    EXPECT_STR(rows[0].step.error, "{\"status\":400}");
    EXPECT_STR(rows[0].step.child, "child-1");
    EXPECT_INT(rows[0].step.state, PW_UNDO_UNKNOWN);
    EXPECT_INT(rows[0].carried_out_by, 0);
    EXPECT_INT(rows[0].created_ms, 2000);
    EXPECT_INT(rows[0].ended_ms, -1);
    EXPECT_STR(rows[1].step.key, "key-1");
    EXPECT_STR(rows[1].step.branch, "4.0/17.2");
    EXPECT_STR(rows[1].step.arguments, "{\"id\":7}");
    EXPECT_STR(rows[1].step.error, "");
    EXPECT_STR(rows[1].step.child, "");
    EXPECT_INT(rows[1].step.state, PW_UNDO_REGISTERED);
    pw_undo_row *none = NULL;
    const pw_undo_filter any = { .below = UINT64_MAX, .limit = 5 };
    EXPECT_OK(pw_store_undo(f->store, S("i2"), &any, &none, &count, &more, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 0);
    EXPECT(!more);
}

STORE_TEST(the_same_effect_again_takes_the_place_of_its_row_and_is_the_last)
{
    have_plan(f);
    pw_undo_step steps[] = { undo(1, "a"), undo(2, "b"), undo(3, "c") };
    plan(f, steps, 3, NULL, 0, 2000);
    pw_undo_change changes[] = {
        { .ordinal = 1, .state = PW_UNDO_FAILED, .visit = 40, .error = S("{\"status\":500}") }
    };
    plan(f, NULL, 0, changes, 1, 3000);
    pw_undo_step again = undo(4, "a");
    again.task = S("/do/1/other");
    again.visit = 99;
    again.arguments = S("{\"id\":8}");
    again.branch = S("7.1");
    plan(f, &again, 1, NULL, 0, 4000);
    restart(f);
    EXPECT_TEXT(all(f), "4 registered, 3 registered, 2 registered");
    size_t count = 0;
    bool more = true;
    const pw_undo_row *rows = page(f, (pw_undo_filter){ .limit = 1 }, &count, &more);
    EXPECT(more);
    EXPECT_STR(rows[0].step.task, "/do/1/other");
    EXPECT_INT(rows[0].step.visit, 99);
    EXPECT_STR(rows[0].step.arguments, "{\"id\":8}");
    EXPECT_STR(rows[0].step.branch, "7.1");
    EXPECT_STR(rows[0].step.error, "");
    EXPECT_INT(rows[0].carried_out_by, 0);
    EXPECT_INT(rows[0].created_ms, 4000);
    EXPECT_INT(rows[0].ended_ms, -1);
    /* twice in one step, and the key of another instance is another effect */
    pw_undo_step twice[] = { undo(5, "d"), undo(6, "d") };
    plan(f, twice, 2, NULL, 0, 5000);
    EXPECT_TEXT(all(f), "6 registered, 4 registered, 3 registered, 2 registered");
    have_instance(f, "i2", 1000);
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    pw_undo_step other = undo(1, "d");
    t.undo = &other;
    t.undo_count = 1;
    step(f, "i2", 1, &t, 6000);
    EXPECT_TEXT(all(f), "6 registered, 4 registered, 3 registered, 2 registered");
}

STORE_TEST(two_effects_in_one_place_are_refused)
{
    have_plan(f);
    pw_undo_step steps[] = { undo(1, "a"), undo(1, "b") };
    EXPECT_INT(refused(f, steps, 2, NULL, 0), PAWL_INVALID);
    EXPECT_TEXT(all(f), "");
    plan(f, steps, 1, NULL, 0, 2000);
    EXPECT_INT(refused(f, steps + 1, 1, NULL, 0), PAWL_INVALID);
    EXPECT_TEXT(all(f), "1 registered");
    plan(f, steps + 1, 0, NULL, 0, 3000); /* the next step is taken */
}

STORE_TEST(a_step_of_a_plan_that_cannot_be_is_refused)
{
    char long_text[KEY_MAX + 2];
    memset(long_text, 'k', sizeof long_text);
    have_plan(f);
    pw_undo_step good = undo(1, "a"), bad[8];
    for (size_t i = 0; i < PW_LENGTH(bad); i++)
        bad[i] = good;
    bad[0].key = S("");
    bad[1].key = (pw_str){ long_text, KEY_MAX + 1 };
    bad[2].key = (pw_str){ "a\0", 2 };
    bad[3].child = (pw_str){ long_text, 129 };
    bad[4].ordinal = 0;
    bad[5].ordinal = INT64_MAX; /* a page begins below it */
    bad[6].visit = UINT64_MAX;
    bad[7].state = (pw_undo_state)PW_UNDO_STATE_COUNT;
    for (size_t i = 0; i < PW_LENGTH(bad); i++)
        EXPECT_INT(refused(f, &bad[i], 1, NULL, 0), PAWL_INVALID);
    EXPECT_TEXT(all(f), "");
    good.key = (pw_str){ long_text, KEY_MAX };
    good.child = (pw_str){ long_text, 128 };
    good.ordinal = INT64_MAX - 1;
    plan(f, &good, 1, NULL, 0, 2000);
    EXPECT_TEXT(all(f), "9223372036854775806 registered");
    pw_undo_change wrong[] = { { .ordinal = UINT64_MAX },
                               { .ordinal = INT64_MAX - 1, .visit = UINT64_MAX },
                               { .ordinal = INT64_MAX - 1,
                                 .state = (pw_undo_state)PW_UNDO_STATE_COUNT } };
    for (size_t i = 0; i < PW_LENGTH(wrong); i++)
        EXPECT_INT(refused(f, NULL, 0, &wrong[i], 1), PAWL_INVALID);
    EXPECT_TEXT(all(f), "9223372036854775806 registered");
}

/* ---- what becomes of it */

STORE_TEST(a_step_is_carried_out_and_ends_in_one_way_or_the_other)
{
    static const struct {
        pw_undo_state state;
        const char *error, *stored;
        int64_t ended_ms;
    } ends[] = { { PW_UNDO_DONE, "", "", 4000 },
                 { PW_UNDO_FAILED, "{\"status\":503}", "{\"status\":503}", 4000 },
                 { PW_UNDO_SKIPPED, "", "", 4000 },
                 { PW_UNDO_REGISTERED, "", "", -1 } };
    have_plan(f);
    pw_undo_step steps[PW_LENGTH(ends)];
    pw_undo_change changes[PW_LENGTH(ends)];
    static const char *const keys[] = { "a", "b", "c", "d" };
    for (size_t i = 0; i < PW_LENGTH(ends); i++) {
        steps[i] = undo(i + 1, keys[i]);
        changes[i] = becomes(i + 1, PW_UNDO_RUNNING);
        changes[i].visit = 100 + i;
    }
    plan(f, steps, PW_LENGTH(ends), NULL, 0, 2000);
    plan(f, NULL, 0, changes, PW_LENGTH(ends), 3000);
    EXPECT_TEXT(all(f), "4 running, 3 running, 2 running, 1 running");
    for (size_t i = 0; i < PW_LENGTH(ends); i++) {
        changes[i] = becomes(i + 1, ends[i].state);
        changes[i].error = S(ends[i].error);
    }
    plan(f, NULL, 0, changes, PW_LENGTH(ends), 4000);
    restart(f);
    EXPECT_TEXT(all(f), "4 registered, 3 skipped, 2 failed, 1 done");
    size_t count = 0;
    bool more = true;
    const pw_undo_row *rows = page(f, (pw_undo_filter){ .below = 0 }, &count, &more);
    for (size_t i = 0; i < PW_LENGTH(ends); i++) {
        const pw_undo_row *row = &rows[PW_LENGTH(ends) - 1 - i];
        EXPECT_INT(row->step.state, ends[i].state);
        EXPECT_STR(row->step.error, ends[i].stored);
        EXPECT_INT(row->ended_ms, ends[i].ended_ms);
        EXPECT_INT(row->carried_out_by, 100 + i);
        EXPECT_INT(row->created_ms, 2000);
        EXPECT_STR(row->step.arguments, "{\"id\":7}");
    }
}

STORE_TEST(what_is_registered_and_over_in_one_step_is_so)
{
    have_plan(f);
    pw_undo_step steps[] = { undo(1, "a"), undo(2, "b") };
    steps[0].state = PW_UNDO_SKIPPED;
    pw_undo_change done = becomes(2, PW_UNDO_DONE);
    plan(f, steps, 2, &done, 1, 2000);
    restart(f);
    EXPECT_TEXT(all(f), "2 done, 1 skipped");
    size_t count = 0;
    bool more = true;
    const pw_undo_row *rows = page(f, (pw_undo_filter){ .below = 0 }, &count, &more);
    EXPECT_INT(rows[0].ended_ms, 2000);
    EXPECT_INT(rows[1].ended_ms, 2000);
}

STORE_TEST(a_step_that_is_not_in_the_plan_is_corrupt)
{
    have_plan(f);
    pw_undo_step steps[] = { undo(1, "a"), undo(2, "b") };
    plan(f, steps, 1, NULL, 0, 2000);
    pw_undo_change changes[] = { becomes(1, PW_UNDO_RUNNING), becomes(2, PW_UNDO_RUNNING) };
    EXPECT_INT(refused(f, NULL, 0, changes, 2), PAWL_CORRUPT);
    EXPECT_TEXT(f->err.message, "instance 'i1': no step 2 in its compensation plan: its state and "
                                "its rows do not agree");
    EXPECT_TEXT(all(f), "1 registered"); /* nothing of the step was written */
    pw_undo_step moved = undo(3, "a");
    plan(f, &moved, 1, NULL, 0, 3000);
    EXPECT_INT(refused(f, NULL, 0, changes, 1), PAWL_CORRUPT); /* it is the third by now */
    EXPECT_TEXT(all(f), "3 registered");
}

STORE_TEST(a_lost_race_leaves_the_plan_alone)
{
    have_plan(f);
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    pw_undo_step one = undo(1, "a");
    t.undo = &one;
    t.undo_count = 1;
    step(f, "i1", 1, &t, 2000);
    pw_undo_step other = undo(2, "a");
    t.undo = &other;
    pw_commit_item item = item_of("i1", 1, &t, 3000);
    EXPECT_INT(commit_one(f, &item), PAWL_CONFLICT);
    EXPECT_TEXT(all(f), "1 registered");
}

/* ---- reading */

STORE_TEST(a_plan_is_read_by_state_and_by_task_from_the_highest_down)
{
    static const struct {
        const char *key, *task;
        pw_undo_state state;
    } steps[] = {
        { "a", "/do/0/book", PW_UNDO_REGISTERED },
        { "b", "/do/1/loop/for/do/0/buy", PW_UNDO_UNKNOWN },
        { "c", "/do/1/loop/for/do/0/buy", PW_UNDO_DONE },
        { "d", "/do/1/loop2/do/0/buy", PW_UNDO_RUNNING },
        { "e", "/do/1/loop", PW_UNDO_FAILED },
        { "f", "/do/10/book", PW_UNDO_SKIPPED },
    };
    have_plan(f);
    for (size_t i = 0; i < PW_LENGTH(steps); i++) {
        pw_undo_step u = undo(i + 1, steps[i].key);
        u.task = S(steps[i].task);
        u.state = steps[i].state;
        plan(f, &u, 1, NULL, 0, 2000);
    }
    restart(f);
    const struct {
        pw_undo_filter filter;
        const char *listed;
    } cases[] = {
        { { .below = 0 }, "6 skipped, 5 failed, 4 running, 3 done, 2 unknown, 1 registered" },
        { { .below = 4 }, "3 done, 2 unknown, 1 registered" },
        { { .below = 1 }, "" },
        { { .states = left }, "4 running, 2 unknown, 1 registered" },
        { { .states = left, .below = 3 }, "2 unknown, 1 registered" },
        { { .states = PW_BIT(PW_UNDO_UNKNOWN) }, "2 unknown" },
        { { .states = PW_BIT(PW_UNDO_DONE) | PW_BIT(PW_UNDO_REGISTERED) }, "3 done, 1 registered" },
        { { .scope = S("/do/1/loop") }, "5 failed, 3 done, 2 unknown" },
        { { .scope = S("/do/1/loop"), .states = left }, "2 unknown" },
        { { .scope = S("/do/1") }, "5 failed, 4 running, 3 done, 2 unknown" },
        { { .scope = S("/do/1/loop/for/do/0/buy") }, "3 done, 2 unknown" },
        { { .scope = S("/do/1/lo") }, "" },
        { { .scope = S("/do/1/loop/") }, "" },
    };
    const struct {
        pw_undo_filter filter;
        uint64_t count;
    } counts[] = {
        { { .below = 0 }, 6 },
        { { .below = 2, .limit = 1 }, 6 }, /* neither is looked at */
        { { .states = left }, 3 },
        { { .states = left, .scope = S("/do/1/loop") }, 1 },
        { { .states = PW_BIT(PW_UNDO_DONE) | PW_BIT(PW_UNDO_REGISTERED) }, 2 },
        { { .scope = S("/do/1/loop") }, 3 },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        for (uint32_t limit = 1; limit <= 7; limit++) {
            pw_undo_filter filter = cases[i].filter;
            filter.limit = limit;
            EXPECT_TEXT(listed(f, filter), cases[i].listed);
        }
    for (size_t i = 0; i < PW_LENGTH(counts); i++) {
        uint64_t count = 99;
        EXPECT_OK(pw_store_undo_count(f->store, S("i1"), &counts[i].filter, &count, &f->err),
                  f->err);
        EXPECT_INT(count, counts[i].count);
    }
    uint64_t count = 99;
    EXPECT_OK(pw_store_undo_count(f->store, S("i2"), &counts[0].filter, &count, &f->err), f->err);
    EXPECT_INT(count, 0);
}

STORE_TEST(a_page_of_a_plan_has_a_limit)
{
    have_plan(f);
    pw_undo_row *rows = NULL;
    size_t count = 0;
    bool more = false;
    for (uint32_t limit = 0; limit <= PW_PAGE_MAX + 1; limit += PW_PAGE_MAX + 1) {
        const pw_undo_filter filter = { .below = UINT64_MAX, .limit = limit };
        EXPECT_INT(
            pw_store_undo(f->store, S("i1"), &filter, &rows, &count, &more, &f->arena, &f->err),
            PAWL_INVALID);
        EXPECT_CONTAINS(f->err.message, "a page has 1 to 1000 rows");
    }
}

STORE_TEST(a_page_of_a_plan_ends_behind_8_mib_of_arguments)
{
    enum { LARGE = 3 << 20 };
    char *large = pw_arena_alloc(&f->arena, LARGE);
    static const char *const keys[] = { "a", "b", "c", "d", "e" };
    EXPECT(large != NULL);
    memset(large, '1', LARGE);
    have_plan(f);
    for (size_t i = 0; i < PW_LENGTH(keys); i++) {
        pw_undo_step u = undo(i + 1, keys[i]);
        u.arguments = (pw_str){ large, LARGE };
        plan(f, &u, 1, NULL, 0, 2000);
    }
    size_t count = 0;
    bool more = false;
    const pw_undo_row *rows = page(f, (pw_undo_filter){ .below = 0 }, &count, &more);
    EXPECT_INT(count, 3);
    EXPECT(more);
    EXPECT_INT(rows[2].step.ordinal, 3);
    EXPECT_INT(rows[2].step.arguments.len, LARGE);
    rows = page(f, (pw_undo_filter){ .below = 3 }, &count, &more);
    EXPECT_INT(count, 2);
    EXPECT(!more);
    EXPECT_INT(rows[1].step.ordinal, 1);
}

STORE_TEST(a_plan_goes_with_its_instance)
{
    have_plan(f);
    pw_undo_step u = undo(1, "a");
    plan(f, &u, 1, NULL, 0, 2000);
    pw_transition t = transition(PW_COMPLETED, PW_WAKE_NEVER, "{}");
    step(f, "i1", 2, &t, 3000);
    EXPECT_TEXT(all(f), "1 registered"); /* it stays with what has ended: it can still be undone */
    EXPECT_OK(pw_store_instance_delete(f->store, S("i1"), 0, &f->err), f->err);
    EXPECT_TEXT(all(f), "");
    have_instance(f, "i1", 4000);
    EXPECT_TEXT(all(f), "");
}

/* ---- an end that is left */

static uint64_t living(fixture *f)
{
    const pw_definition_filter filter = { .limit = 9 };
    pw_definition_row *rows = NULL;
    size_t count = 0;
    pw_str next;
    EXPECT_OK(pw_store_definition_list(f->store, &filter, &rows, &count, &next, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 1);
    return rows[0].living;
}

static uint64_t with_status(fixture *f, pw_status status)
{
    uint64_t by_status[PW_STATUS_COUNT];
    const pw_instance_filter any = { .limit = 1 };
    EXPECT_OK(pw_store_instance_count(f->store, &any, by_status, &f->err), f->err);
    return by_status[status];
}

STORE_TEST(what_has_ended_may_be_compensated_and_ends_again)
{
    static const struct {
        pw_status status;
        const char *output, *error;
    } ends[] = { { PW_COMPLETED, "1", "" },
                 { PW_FAULTED, "", "{\"status\":500}" },
                 { PW_CANCELLED, "", "" },
                 { PW_COMPENSATED, "", "" } };
    have_definition(f);
    for (size_t i = 0; i < PW_LENGTH(ends); i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "i%zu", i);
        have_instance(f, id, 1000);
        pw_transition t = transition(ends[i].status, PW_WAKE_NEVER, "{}");
        t.output = S(ends[i].output);
        t.error = S(ends[i].error);
        step(f, id, 1, &t, 2000);
        EXPECT_INT(get(f, id).ended_ms, 2000);
        EXPECT_INT(living(f), 0);
        t = transition(PW_COMPENSATING, 0, "{\"undoing\":1}");
        pw_bookmark bookmark = { .kind = PW_BOOKMARK_USER,
                                 .task = S("/do/0/book"),
                                 .visit = 9,
                                 .key = S("undo"),
                                 .due_at = -1,
                                 .assigned_to = S("ann") };
        t.bookmarks = &bookmark;
        t.bookmark_count = 1;
        step(f, id, 2, &t, 3000);
        restart(f);
        pw_instance_row row = get(f, id);
        EXPECT_INT(row.status, PW_COMPENSATING);
        EXPECT_INT(row.token, 3);
        EXPECT_INT(row.ended_ms, -1);
        EXPECT_INT(row.wake_at, 0);
        EXPECT_STR(row.state, "{\"undoing\":1}");
        EXPECT_INT(living(f), 1);
        EXPECT_INT(with_status(f, PW_COMPENSATING), 1);
        EXPECT_INT(pw_store_instance_delete(f->store, S(id), 0, &f->err), PAWL_STATE);
        EXPECT_INT(f->err.reason, PAWL_REASON_NOT_ENDED);
        pw_bookmark_row *open = NULL;
        size_t count = 0;
        EXPECT_OK(pw_store_bookmarks(f->store, S(id), true, &open, &count, &f->arena, &f->err),
                  f->err);
        EXPECT_INT(count, 1);
        pw_due *due = NULL;
        EXPECT_OK(pw_store_due(f->store, PW_ALL_PARTITIONS, 9000, -1, S(""), 9, &due, &count,
                               &f->arena, &f->err),
                  f->err);
        EXPECT_INT(count, 1);
        t = transition(PW_COMPENSATED, PW_WAKE_NEVER, "{\"undone\":1}");
        t.error = S(ends[i].error);
        step(f, id, 3, &t, 4000);
        restart(f);
        row = get(f, id);
        EXPECT_INT(row.status, PW_COMPENSATED);
        EXPECT_INT(row.ended_ms, 4000);
        EXPECT(row.wake_at == PW_WAKE_NEVER);
        EXPECT_STR(row.output, "");
        EXPECT_STR(row.error, ends[i].error);
        EXPECT_INT(living(f), 0);
        EXPECT_OK(pw_store_bookmarks(f->store, S(id), true, &open, &count, &f->arena, &f->err),
                  f->err);
        EXPECT_INT(count, 0); /* the end ends all that waits, as every end */
        EXPECT_INT(with_status(f, PW_COMPENSATED), i + 1);
    }
}

STORE_TEST(what_is_rewound_lives_again_and_may_end_as_it_did)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_transition t = transition(PW_COMPLETED, PW_WAKE_NEVER, "{}");
    t.output = S("1");
    step(f, "i1", 1, &t, 2000);
    t = transition(PW_WAITING, 9000, "{}");
    step(f, "i1", 2, &t, 3000);
    EXPECT_INT(get(f, "i1").ended_ms, -1);
    EXPECT_STR(get(f, "i1").output, "");
    EXPECT_INT(get(f, "i1").wake_at, 9000);
    EXPECT_INT(living(f), 1);
    t = transition(PW_COMPLETED, PW_WAKE_NEVER, "{}");
    t.output = S("2");
    step(f, "i1", 3, &t, 4000);
    t.output = S("3"); /* from its end to its end in one step */
    step(f, "i1", 4, &t, 5000);
    restart(f);
    EXPECT_INT(get(f, "i1").ended_ms, 5000);
    EXPECT_STR(get(f, "i1").output, "3");
    EXPECT_INT(living(f), 0);
    EXPECT_INT(with_status(f, PW_COMPLETED), 1);
}

TEST_MAIN()
