/* conformance_rows.c - what a step opens, closes, sends and puts out, in every store: payloads,
 * bookmarks, calls, events, faults, commands. */
#include "conformance.h"

static pw_bookmark bookmark(uint64_t visit, const char *key)
{
    return (pw_bookmark){ .kind = PW_BOOKMARK_USER,
                          .task = S("/do/0/ask"),
                          .visit = visit,
                          .key = S(key),
                          .due_at = -1 };
}

static void opens(fixture *f, uint64_t token, pw_bookmark *bookmarks, size_t count)
{
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.bookmarks = bookmarks;
    t.bookmark_count = count;
    step(f, "i1", token, &t, 1000 * (int64_t)(token + 1));
}

static pw_commit_item ends(uint64_t token, pw_transition *t, pw_bookmark_end *end)
{
    *t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t->bookmark_ends = end;
    t->bookmark_end_count = 1;
    return item_of("i1", token, t, 1000 * (int64_t)(token + 1));
}

/* ---- branches of wide forks */

static void step_with(fixture *f, const char *instance, uint64_t token, const pw_branch_row *rows,
                      size_t count, const uint64_t *ends, size_t end_count)
{
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.branches = rows;
    t.branch_count = count;
    t.fork_ends = ends;
    t.fork_end_count = end_count;
    pw_commit_item item = item_of(instance, token, &t, 2000);
    must_commit(f, &item);
}

static pw_str branches_of(fixture *f, const char *instance)
{
    pw_instance_row row;
    EXPECT_OK(pw_store_instance_get(f->store, S(instance), true, &row, &f->arena, &f->err), f->err);
    return row.branches;
}

STORE_TEST(branches_are_read_with_the_state_in_the_order_of_fork_and_number)
{
    have_definition(f);
    const pw_branch_row rows[] = { { 7, 10, S("{\"a\":\"ten\"}") },
                                   { 7, 2, S("{\"a\":\"two\"}") },
                                   { 30, 0, S("{}") },
                                   { 7, 0, S("{\"a\":0}") } };
    step_with(f, "i1", 0, rows, PW_LENGTH(rows), NULL, 0);
    step_with(f, "i2", 0, NULL, 0, NULL, 0);
    EXPECT_STR(branches_of(f, "i1"),
               "[[7,0,{\"a\":0}],[7,2,{\"a\":\"two\"}],[7,10,{\"a\":\"ten\"}],[30,0,{}]]");
    EXPECT_STR(branches_of(f, "i2"), "");
    pw_instance_row row;
    EXPECT_OK(pw_store_instance_get(f->store, S("i1"), false, &row, &f->arena, &f->err), f->err);
    EXPECT_INT(row.branches.len, 0);
}

STORE_TEST(a_branch_is_replaced_alone_and_all_of_a_fork_end_together)
{
    have_definition(f);
    const pw_branch_row rows[] = { { 7, 0, S("{\"n\":0}") },
                                   { 7, 1, S("{\"n\":1}") },
                                   { 8, 0, S("{\"m\":0}") } };
    step_with(f, "i1", 0, rows, PW_LENGTH(rows), NULL, 0);
    step_with(f, "i2", 0, rows, PW_LENGTH(rows), NULL, 0);
    const pw_branch_row again[] = { { 7, 1, S("{\"n\":2}") } };
    step_with(f, "i1", 1, again, 1, NULL, 0);
    EXPECT_STR(branches_of(f, "i1"), "[[7,0,{\"n\":0}],[7,1,{\"n\":2}],[8,0,{\"m\":0}]]");
    const uint64_t ends[] = { 7, 99 }; /* of 99 there are none */
    const pw_branch_row next[] = { { 9, 0, S("{\"k\":0}") } };
    step_with(f, "i1", 2, next, 1, ends, 2);
    EXPECT_STR(branches_of(f, "i1"), "[[8,0,{\"m\":0}],[9,0,{\"k\":0}]]");
    EXPECT_STR(branches_of(f, "i2"), "[[7,0,{\"n\":0}],[7,1,{\"n\":1}],[8,0,{\"m\":0}]]");
}

STORE_TEST(a_step_that_is_refused_leaves_the_branches_as_they_were)
{
    have_definition(f);
    const pw_branch_row rows[] = { { 7, 0, S("{\"n\":0}") },
                                   { 7, 1, S("{\"n\":1}") },
                                   { 8, 0, S("{\"m\":0}") } };
    step_with(f, "i1", 0, rows, PW_LENGTH(rows), NULL, 0);
    const uint64_t ends[] = { 7 };
    const pw_branch_row changed[] = { { 8, 0, S("{\"m\":1}") }, { 9, 4, S("{}") } };
    const pw_bookmark twice[] = {
        { .kind = PW_BOOKMARK_USER, .task = S("/do/0/a"), .visit = 3, .key = S("k"), .due_at = -1 },
        { .kind = PW_BOOKMARK_USER, .task = S("/do/0/a"), .visit = 3, .key = S("k"), .due_at = -1 },
    };
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.branches = changed;
    t.branch_count = 2;
    t.fork_ends = ends;
    t.fork_end_count = 1;
    t.bookmarks = (pw_bookmark *)(uintptr_t)twice;
    t.bookmark_count = 2;
    pw_commit_item item = item_of("i1", 1, &t, 2000);
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    t.bookmark_count = 0;
    item = item_of("i1", 5, &t, 2000); /* it was read long ago */
    EXPECT_INT(commit_one(f, &item), PAWL_CONFLICT);
    EXPECT_STR(branches_of(f, "i1"), "[[7,0,{\"n\":0}],[7,1,{\"n\":1}],[8,0,{\"m\":0}]]");
    const uint64_t none[] = { 0 };
    t.fork_ends = none;
    item = item_of("i1", 1, &t, 2000);
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    t.fork_ends = ends;
    item = item_of("i1", 1, &t, 2000);
    must_commit(f, &item);
    EXPECT_STR(branches_of(f, "i1"), "[[8,0,{\"m\":1}],[9,4,{}]]");
}

/* ---- payloads */

static void puts_out(fixture *f, const char *instance, uint64_t token, const pw_payload *payloads,
                     size_t count)
{
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.payloads = payloads;
    t.payload_count = count;
    step(f, instance, token, &t, 1000 * (int64_t)(token + 1));
}

static pw_str payload_of(fixture *f, const char *instance, const char *digest)
{
    pw_str text = { 0 };
    EXPECT_OK(pw_store_payload_get(f->store, S(instance), S(digest), &text, &f->arena, &f->err),
              f->err);
    return text;
}

STORE_TEST(a_payload_is_read_back_by_instance_and_digest)
{
    have_definition(f);
    static char large[300000];
    memset(large, 'x', sizeof large);
    const pw_payload two[] = { { S("d-1"), { large, sizeof large } }, { S("d-2"), S("\"two\"") } };
    puts_out(f, "i1", 0, two, 2);
    have_instance(f, "i2", 1000);
    restart(f);
    pw_str text = payload_of(f, "i1", "d-1");
    EXPECT_INT(text.len, sizeof large);
    EXPECT(memcmp(text.ptr, large, sizeof large) == 0);
    EXPECT_STR(payload_of(f, "i1", "d-2"), "\"two\"");
    EXPECT_INT(pw_store_payload_get(f->store, S("i2"), S("d-2"), &text, &f->arena, &f->err),
               PAWL_NOT_FOUND);
    EXPECT_INT(pw_store_payload_get(f->store, S("i1"), S("d-3"), &text, &f->arena, &f->err),
               PAWL_NOT_FOUND);
    EXPECT_TEXT(f->err.message, "no payload 'd-3'");
    EXPECT_INT(pw_store_payload_get(f->store, S("none"), S("d-1"), &text, &f->arena, &f->err),
               PAWL_NOT_FOUND);
}

STORE_TEST(a_payload_that_is_there_is_not_written_again)
{
    have_definition(f);
    const pw_payload payload = { S("d-1"), S("\"one\"") };
    puts_out(f, "i1", 0, &payload, 1);
    uint64_t rows = counts(f).rows;
    puts_out(f, "i1", 1, &payload, 1);
    EXPECT_INT(counts(f).rows - rows, 2); /* the instance and the step */
    EXPECT_STR(payload_of(f, "i1", "d-1"), "\"one\"");
    EXPECT_INT(get(f, "i1").token, 2);
}

STORE_TEST(payloads_are_written_with_their_step_or_not_at_all)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    have_instance(f, "i2", 1000);
    const pw_payload payload = { S("d-1"), S("\"one\"") }, impossible = { S(""), S("\"two\"") };
    pw_transition good = transition(PW_WAITING, PW_WAKE_NEVER, "{}"), bad = good;
    good.payloads = bad.payloads = &payload;
    good.payload_count = bad.payload_count = 1;
    pw_bookmark_end end = { .visit = 9, .key = S("never opened") };
    bad.bookmark_ends = &end;
    bad.bookmark_end_count = 1;
    pw_commit_item items[] = { item_of("i1", 1, &bad, 2000), item_of("i2", 1, &good, 2000) };
    EXPECT_OK(pw_store_commit(f->store, items, 2, &f->err), f->err);
    EXPECT_INT(items[0].code, PAWL_CORRUPT);
    EXPECT_INT(items[1].code, PAWL_OK);
    pw_commit_item stale = item_of("i1", 7, &good, 3000);
    EXPECT_INT(commit_one(f, &stale), PAWL_CONFLICT);
    good.payloads = &impossible;
    pw_commit_item refused = item_of("i1", 1, &good, 3000);
    EXPECT_INT(commit_one(f, &refused), PAWL_INVALID);
    EXPECT_TEXT(refused.error.message,
                "instance 'i1': a payload's digest must have 1 to 128 bytes and no NUL");
    restart(f);
    pw_str text;
    EXPECT_INT(pw_store_payload_get(f->store, S("i1"), S("d-1"), &text, &f->arena, &f->err),
               PAWL_NOT_FOUND);
    EXPECT_STR(payload_of(f, "i2", "d-1"), "\"one\"");
}

/* ---- bookmarks */

STORE_TEST(a_bookmark_is_read_back_whole)
{
    have_definition(f);
    pw_bookmark b = { .kind = PW_BOOKMARK_MESSAGE,
                      .task = S("/do/1/wait"),
                      .visit = 4,
                      .key = S("approve"),
                      .assigned_to = S("kim"),
                      .candidates = S("{\"groups\":[\"sales\"]}"),
                      .message_type = S("com.example.paid"),
                      .due_at = 9999,
                      .payload = S("{\"title\":\"?\"}") };
    opens(f, 0, &b, 1);
    restart(f);
    pw_bookmark_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_bookmarks(f->store, S("i1"), true, &rows, &count, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 1);
    EXPECT_INT(rows[0].bookmark.kind, PW_BOOKMARK_MESSAGE);
    EXPECT_STR(rows[0].bookmark.task, "/do/1/wait");
    EXPECT_INT(rows[0].bookmark.visit, 4);
    EXPECT_STR(rows[0].bookmark.key, "approve");
    EXPECT_STR(rows[0].bookmark.assigned_to, "kim");
    EXPECT_STR(rows[0].bookmark.candidates, "{\"groups\":[\"sales\"]}");
    EXPECT_STR(rows[0].bookmark.message_type, "com.example.paid");
    EXPECT_INT(rows[0].bookmark.due_at, 9999);
    EXPECT_STR(rows[0].bookmark.payload, "{\"title\":\"?\"}");
    EXPECT(rows[0].open);
    EXPECT(!rows[0].consumed);
    EXPECT_INT(rows[0].created_ms, 1000);
    EXPECT_INT(rows[0].ended_ms, -1);
    EXPECT_STR(rows[0].by, "");
    EXPECT_STR(rows[0].digest, "");
}

STORE_TEST(a_consumed_bookmark_says_by_whom_and_with_what)
{
    have_definition(f);
    pw_bookmark two[] = { bookmark(2, "b"), bookmark(1, "a") };
    opens(f, 0, two, 2);
    pw_transition t;
    pw_bookmark_end end = {
        .visit = 2, .key = S("b"), .consumed = true, .by = S("lee"), .digest = S("d-1")
    };
    pw_commit_item item = ends(1, &t, &end);
    must_commit(f, &item);
    restart(f);
    pw_bookmark_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_bookmarks(f->store, S("i1"), false, &rows, &count, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 2);
    EXPECT_STR(rows[0].bookmark.key, "a");
    EXPECT_INT(rows[0].bookmark.due_at, -1);
    EXPECT(rows[0].open);
    EXPECT_STR(rows[1].bookmark.key, "b");
    EXPECT(!rows[1].open);
    EXPECT(rows[1].consumed);
    EXPECT_STR(rows[1].by, "lee");
    EXPECT_STR(rows[1].digest, "d-1");
    EXPECT_INT(rows[1].ended_ms, 2000);
    EXPECT_OK(pw_store_bookmarks(f->store, S("i1"), true, &rows, &count, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 1);
    EXPECT_STR(rows[0].bookmark.key, "a");
}

STORE_TEST(a_bookmark_is_consumed_once)
{
    have_definition(f);
    pw_bookmark b = bookmark(1, "a");
    opens(f, 0, &b, 1);
    pw_transition t;
    pw_bookmark_end end = { .visit = 1, .key = S("a"), .consumed = true };
    pw_commit_item item = ends(1, &t, &end);
    must_commit(f, &item);
    item = ends(2, &t, &end);
    EXPECT_INT(commit_one(f, &item), PAWL_CORRUPT);
    EXPECT_TEXT(item.error.message,
                "instance 'i1': bookmark 'a' of visit 1 is not open: its state and its rows do "
                "not agree");
    EXPECT_INT(get(f, "i1").token, 2);
    end.key = S("never opened");
    item = ends(2, &t, &end);
    EXPECT_INT(commit_one(f, &item), PAWL_CORRUPT);
}

STORE_TEST(a_bookmark_closed_without_effect_is_not_consumed)
{
    have_definition(f);
    pw_bookmark b = bookmark(1, "a");
    opens(f, 0, &b, 1);
    pw_transition t;
    pw_bookmark_end end = { .visit = 1, .key = S("a") };
    pw_commit_item item = ends(1, &t, &end);
    must_commit(f, &item);
    pw_bookmark_row row;
    EXPECT_OK(pw_store_bookmark_by_key(f->store, S("i1"), S("a"), &row, &f->arena, &f->err),
              f->err);
    EXPECT(!row.open);
    EXPECT(!row.consumed);
}

STORE_TEST(a_bookmark_may_open_and_end_in_one_step)
{
    have_definition(f);
    pw_bookmark b = bookmark(1, "a");
    pw_bookmark_end end = { .visit = 1, .key = S("a") };
    pw_transition t = transition(PW_CANCELLED, PW_WAKE_NEVER, "{}");
    t.bookmarks = &b;
    t.bookmark_count = 1;
    t.bookmark_ends = &end;
    t.bookmark_end_count = 1;
    step(f, "i1", 0, &t, 1000);
    pw_bookmark_row row;
    EXPECT_OK(pw_store_bookmark_by_key(f->store, S("i1"), S("a"), &row, &f->arena, &f->err),
              f->err);
    EXPECT(!row.open);
}

STORE_TEST(the_newest_bookmark_of_a_key_is_that_of_the_highest_visit)
{
    have_definition(f);
    pw_bookmark first[] = { bookmark(1, "a"), bookmark(10, "a"), bookmark(9, "a"),
                            bookmark(11, "b") };
    opens(f, 0, first, 4);
    pw_bookmark_row row;
    EXPECT_OK(pw_store_bookmark_by_key(f->store, S("i1"), S("a"), &row, &f->arena, &f->err),
              f->err);
    EXPECT_INT(row.bookmark.visit, 10);
    EXPECT_INT(pw_store_bookmark_by_key(f->store, S("i1"), S("c"), &row, &f->arena, &f->err),
               PAWL_NOT_FOUND);
    EXPECT_TEXT(f->err.message, "no bookmark 'c'");
    EXPECT_INT(pw_store_bookmark_by_key(f->store, S("i2"), S("a"), &row, &f->arena, &f->err),
               PAWL_NOT_FOUND);
}

STORE_TEST(only_the_bookmark_that_is_named_ends)
{
    have_definition(f);
    pw_bookmark same[] = { bookmark(1, "a"), bookmark(2, "a"), bookmark(1, "b") };
    opens(f, 0, same, 3);
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.bookmarks = same;
    t.bookmark_count = 1;
    step(f, "i2", 0, &t, 1000);
    pw_bookmark_end end = { .visit = 1, .key = S("a"), .consumed = true };
    pw_commit_item item = ends(1, &t, &end);
    must_commit(f, &item);
    pw_bookmark_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_bookmarks(f->store, S("i1"), true, &rows, &count, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 2);
    EXPECT_STR(rows[0].bookmark.key, "b");
    EXPECT_INT(rows[1].bookmark.visit, 2);
    EXPECT_OK(pw_store_bookmarks(f->store, S("i2"), true, &rows, &count, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 1);
}

/* ---- calls */

static pw_call_intent call(uint64_t visit, uint32_t attempt, const char *key)
{
    return (pw_call_intent){ .task = S("/do/0/pay"),
                             .visit = visit,
                             .attempt = attempt,
                             .kind = S("http"),
                             .endpoint = S("http://x/pay"),
                             .method = S("POST"),
                             .request = S("{\"uri\":\"http://x/pay?q\"}"),
                             .key = S(key),
                             .timeout_ms = 30000 };
}

static void calls(fixture *f, uint64_t token, pw_call_intent *intent)
{
    pw_transition t = transition(PW_WAITING, 0, "{}");
    t.calls = intent;
    t.call_count = 1;
    step(f, "i1", token, &t, 1000 * (int64_t)(token + 1));
}

static pw_commit_item outcome(uint64_t token, pw_transition *t, pw_call_outcome *o)
{
    *t = transition(PW_WAITING, 0, "{}");
    t->outcomes = o;
    t->outcome_count = 1;
    return item_of("i1", token, t, 1000 * (int64_t)(token + 1));
}

static pw_call_row only_call(fixture *f)
{
    pw_call_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_calls(f->store, S("i1"), false, &rows, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 1);
    return rows[0];
}

static size_t pending_calls(fixture *f)
{
    pw_call_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_calls(f->store, S("i1"), true, &rows, &count, &f->arena, &f->err), f->err);
    return count;
}

STORE_TEST(a_call_is_read_back_whole_and_pending)
{
    have_definition(f);
    pw_call_intent intent = call(3, 1, "key-1");
    calls(f, 0, &intent);
    restart(f);
    EXPECT_INT(pending_calls(f), 1);
    pw_call_row row = only_call(f);
    EXPECT_STR(row.intent.task, "/do/0/pay");
    EXPECT_INT(row.intent.visit, 3);
    EXPECT_INT(row.intent.attempt, 1);
    EXPECT_STR(row.intent.kind, "http");
    EXPECT_STR(row.intent.endpoint, "http://x/pay");
    EXPECT_STR(row.intent.method, "POST");
    EXPECT_STR(row.intent.request, "{\"uri\":\"http://x/pay?q\"}");
    EXPECT_STR(row.intent.key, "key-1");
    EXPECT_INT(row.intent.timeout_ms, 30000);
    EXPECT_INT(row.state, PW_CALL_PENDING);
    EXPECT_INT(row.attempts, 1);
    EXPECT_STR(row.outcome, "");
    EXPECT_INT(row.created_ms, 1000);
    EXPECT_INT(row.ended_ms, -1);
    EXPECT_INT(row.duration_ms, 0);
}

STORE_TEST(an_outcome_ends_a_call)
{
    have_definition(f);
    pw_call_intent intent = call(3, 1, "key-1");
    calls(f, 0, &intent);
    pw_transition t;
    pw_call_outcome o = { .visit = 3,
                          .key = S("key-1"),
                          .state = PW_CALL_COMPLETED,
                          .outcome = S("{\"status\":200}"),
                          .duration_ms = 45 };
    pw_commit_item item = outcome(1, &t, &o);
    must_commit(f, &item);
    restart(f);
    EXPECT_INT(pending_calls(f), 0);
    pw_call_row row = only_call(f);
    EXPECT_INT(row.state, PW_CALL_COMPLETED);
    EXPECT_STR(row.outcome, "{\"status\":200}");
    EXPECT_INT(row.ended_ms, 2000);
    EXPECT_INT(row.duration_ms, 45);
}

STORE_TEST(a_retry_of_the_same_request_makes_its_row_pending_again)
{
    have_definition(f);
    pw_call_intent intent = call(3, 1, "key-1");
    calls(f, 0, &intent);
    pw_call_outcome o = { .visit = 3,
                          .key = S("key-1"),
                          .state = PW_CALL_TIMED_OUT,
                          .outcome = S("{\"error\":\"late\"}"),
                          .duration_ms = 45 };
    pw_call_intent again = call(5, 2, "key-1");
    pw_transition t = transition(PW_WAITING, 0, "{}");
    t.outcomes = &o; /* the failure and the retry may be one step */
    t.outcome_count = 1;
    t.calls = &again;
    t.call_count = 1;
    step(f, "i1", 1, &t, 2000);
    restart(f);
    EXPECT_INT(pending_calls(f), 1);
    pw_call_row row = only_call(f);
    EXPECT_INT(row.state, PW_CALL_PENDING);
    EXPECT_INT(row.attempts, 2);
    EXPECT_INT(row.intent.visit, 5);
    EXPECT_INT(row.intent.attempt, 2);
    EXPECT_STR(row.outcome, "");
    EXPECT_INT(row.ended_ms, -1);
    EXPECT_INT(row.created_ms, 1000);
    EXPECT_INT(row.duration_ms, 0);
    /* The first visit's answer comes after all: nobody's. */
    pw_call_outcome late = {
        .visit = 3, .key = S("key-1"), .state = PW_CALL_COMPLETED, .outcome = S("{}")
    };
    pw_commit_item item = outcome(2, &t, &late);
    must_commit(f, &item);
    EXPECT_INT(only_call(f).state, PW_CALL_PENDING);
}

STORE_TEST(a_late_result_of_an_abandoned_call_is_recorded_without_effect)
{
    have_definition(f);
    pw_call_intent intent = call(3, 1, "key-1");
    calls(f, 0, &intent);
    pw_transition t;
    pw_call_outcome o = { .visit = 3, .key = S("key-1"), .state = PW_CALL_ABANDONED };
    pw_commit_item item = outcome(1, &t, &o);
    must_commit(f, &item);
    EXPECT_INT(only_call(f).state, PW_CALL_ABANDONED);
    o = (pw_call_outcome){ .visit = 3,
                           .key = S("key-1"),
                           .state = PW_CALL_COMPLETED,
                           .outcome = S("{\"status\":201}"),
                           .duration_ms = 77 };
    item = outcome(2, &t, &o);
    must_commit(f, &item);
    pw_call_row row = only_call(f);
    EXPECT_INT(row.state, PW_CALL_ABANDONED);
    EXPECT_STR(row.outcome, "{\"status\":201}");
    EXPECT_INT(row.ended_ms, 2000);
    EXPECT_INT(row.duration_ms, 77);
    EXPECT_INT(pending_calls(f), 0);
}

STORE_TEST(an_outcome_that_says_nothing_leaves_what_was_said)
{
    have_definition(f);
    pw_call_intent intent = call(3, 1, "key-1");
    calls(f, 0, &intent);
    pw_transition t;
    pw_call_outcome o = { .visit = 3,
                          .key = S("key-1"),
                          .state = PW_CALL_FAILED,
                          .outcome = S("{\"status\":503}"),
                          .duration_ms = 45 };
    pw_commit_item item = outcome(1, &t, &o);
    must_commit(f, &item);
    o = (pw_call_outcome){ .visit = 3, .key = S("key-1"), .state = PW_CALL_ABANDONED };
    item = outcome(2, &t, &o);
    must_commit(f, &item);
    pw_call_row row = only_call(f);
    EXPECT_INT(row.state, PW_CALL_ABANDONED);
    EXPECT_STR(row.outcome, "{\"status\":503}");
    EXPECT_INT(row.ended_ms, 2000);
    EXPECT_INT(row.duration_ms, 45);
}

STORE_TEST(an_outcome_of_a_call_that_was_never_made_is_refused)
{
    have_definition(f);
    pw_call_intent intent = call(3, 1, "key-1");
    calls(f, 0, &intent);
    pw_transition t;
    pw_call_outcome o = { .visit = 3, .key = S("key-2"), .state = PW_CALL_COMPLETED };
    pw_commit_item item = outcome(1, &t, &o);
    EXPECT_INT(commit_one(f, &item), PAWL_CORRUPT);
    EXPECT_TEXT(item.error.message,
                "instance 'i1': no call 'key-2' of visit 3: its state and its rows do not agree");
    o = (pw_call_outcome){ .visit = 4, .key = S("key-1"), .state = PW_CALL_COMPLETED };
    item = outcome(1, &t, &o);
    EXPECT_INT(commit_one(f, &item), PAWL_CORRUPT);
    EXPECT_INT(get(f, "i1").token, 1);
}

STORE_TEST(calls_come_in_the_order_of_visits)
{
    have_definition(f);
    pw_call_intent three[] = { call(10, 1, "a"), call(2, 1, "z"), call(2, 1, "b") };
    pw_transition t = transition(PW_WAITING, 0, "{}");
    t.calls = three;
    t.call_count = 3;
    step(f, "i1", 0, &t, 1000);
    for (int pending = 0; pending < 2; pending++) {
        pw_call_row *rows = NULL;
        size_t count = 0;
        EXPECT_OK(pw_store_calls(f->store, S("i1"), pending, &rows, &count, &f->arena, &f->err),
                  f->err);
        EXPECT_INT(count, 3);
        EXPECT_STR(rows[0].intent.key, "b");
        EXPECT_STR(rows[1].intent.key, "z");
        EXPECT_STR(rows[2].intent.key, "a");
    }
}

/* ---- events and faults */

STORE_TEST(outbox_events_come_in_the_order_of_steps_and_ordinals)
{
    have_definition(f);
    pw_outbox_event events[] = {
        { S("i1-1-10"), S("t10"), S("/shop"), S("{\"n\":10}") },
        { S("i1-1-2"), S("t2"), S("/shop"), S("{\"n\":2}") },
    };
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.events = events;
    t.event_count = 2;
    step(f, "i1", 0, &t, 1000);
    pw_outbox_event later = { S("i1-2-1"), S("t1"), S("/shop"), S("{\"n\":1}") };
    t.events = &later;
    t.event_count = 1;
    step(f, "i1", 1, &t, 2000);
    restart(f);
    pw_outbox_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_outbox(f->store, S("i1"), S(""), 10, &rows, &count, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 3);
    EXPECT_STR(rows[0].event.id, "i1-1-2");
    EXPECT_STR(rows[1].event.id, "i1-1-10");
    EXPECT_STR(rows[2].event.id, "i1-2-1");
    EXPECT_STR(rows[0].instance, "i1");
    EXPECT_INT(rows[0].sequence, 1);
    EXPECT_STR(rows[0].event.type, "t2");
    EXPECT_STR(rows[0].event.source, "/shop");
    EXPECT_STR(rows[0].event.payload, "{\"n\":2}");
    EXPECT_INT(rows[2].created_ms, 2000);
    EXPECT_OK(pw_store_outbox(f->store, S("i1"), S("i1-1-2"), 1, &rows, &count, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 1);
    EXPECT_STR(rows[0].event.id, "i1-1-10");
    EXPECT_OK(pw_store_outbox(f->store, S("i1"), S("i1-2-1"), 1, &rows, &count, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 0);
    EXPECT_INT(
        pw_store_outbox(f->store, S("i1"), S("i2-1-1"), 1, &rows, &count, &f->arena, &f->err),
        PAWL_INVALID);
}

STORE_TEST(an_event_id_that_is_not_of_its_step_is_refused)
{
    have_definition(f);
    static const char *const ids[] = { "i1-2-1",
                                       "i2-1-1",
                                       "i1-1",
                                       "",
                                       "i1-1-01",
                                       "i1-1-x",
                                       "i1-1-99999999999999999999",
                                       "i1-1-9223372036854775808" };
    for (size_t i = 0; i < PW_LENGTH(ids); i++) {
        pw_outbox_event event = { S(ids[i]), S("t"), S("s"), S("{}") };
        pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
        t.events = &event;
        t.event_count = 1;
        pw_commit_item item = item_of("i1", 0, &t, 1000);
        EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
        EXPECT_TEXT(item.error.message,
                    "instance 'i1': an outbox event's id is not instance-step-ordinal");
    }
}

STORE_TEST(the_same_event_twice_in_a_step_is_refused)
{
    have_definition(f);
    pw_outbox_event events[] = { { S("i1-1-1"), S("t"), S("s"), S("{}") },
                                 { S("i1-1-1"), S("t"), S("s"), S("{}") } };
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.events = events;
    t.event_count = 2;
    pw_commit_item item = item_of("i1", 0, &t, 1000);
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
}

STORE_TEST(a_fault_is_read_back_whole_and_open)
{
    have_definition(f);
    pw_fault fault = { .task = S("/do/0/pay"),
                       .visit = 3,
                       .kind = S("external-call-fault"),
                       .error = S("{\"status\":503}"),
                       .class_ = S("transient"),
                       .attempt = 5,
                       .decision = S("fault"),
                       .action = S("check the service") };
    pw_transition t = transition(PW_FAULTED, PW_WAKE_NEVER, "{}");
    t.fault = &fault;
    step(f, "i1", 0, &t, 1000);
    restart(f);
    pw_fault_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_faults(f->store, S("i1"), &rows, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 1);
    EXPECT_INT(rows[0].sequence, 1);
    EXPECT(rows[0].open);
    EXPECT_INT(rows[0].created_ms, 1000);
    EXPECT_STR(rows[0].fault.task, "/do/0/pay");
    EXPECT_INT(rows[0].fault.visit, 3);
    EXPECT_STR(rows[0].fault.kind, "external-call-fault");
    EXPECT_STR(rows[0].fault.error, "{\"status\":503}");
    EXPECT_STR(rows[0].fault.class_, "transient");
    EXPECT_INT(rows[0].fault.attempt, 5);
    EXPECT_STR(rows[0].fault.decision, "fault");
    EXPECT_STR(rows[0].fault.action, "check the service");
}

/* ---- inbox */

static pw_inbox_row command(const char *target, const char *key, const char *kind,
                            const char *payload, int64_t now)
{
    return (pw_inbox_row){ .target = S(target),
                           .key = S(key),
                           .kind = S(kind),
                           .payload = S(payload),
                           .actor = S("kim"),
                           .created_ms = now };
}

static const char *pending(fixture *f, uint32_t limit)
{
    static char text[256];
    pw_inbox_row *rows = NULL;
    size_t count = 0, at = 0;
    EXPECT_OK(pw_store_inbox_pending(f->store, PW_ALL_PARTITIONS, limit, &rows, &count, &f->arena,
                                     &f->err),
              f->err);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s/%.*s", i ? " " : "",
                               (int)rows[i].target.len, rows[i].target.ptr, (int)rows[i].key.len,
                               rows[i].key.ptr);
    return text;
}

STORE_TEST(a_command_is_stored_once_under_its_key)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_inbox_row row = command("i1", "k1", "resume", "{\"ok\":true}", 1500);
    EXPECT_OK(pw_store_inbox_put(f->store, &row, &f->err), f->err);
    row.created_ms = 1700;
    EXPECT_OK(pw_store_inbox_put(f->store, &row, &f->err), f->err);
    restart(f);
    pw_inbox_row got;
    EXPECT_OK(pw_store_inbox_get(f->store, S("i1"), S("k1"), &got, &f->arena, &f->err), f->err);
    EXPECT_STR(got.target, "i1");
    EXPECT_STR(got.key, "k1");
    EXPECT_STR(got.kind, "resume");
    EXPECT_STR(got.payload, "{\"ok\":true}");
    EXPECT_STR(got.actor, "kim");
    EXPECT_STR(got.answer, "");
    EXPECT_INT(got.created_ms, 1500);
    EXPECT_INT(got.consumed_step, 0);
    row = command("i1", "k1", "resume", "{\"ok\":false}", 1800);
    EXPECT_INT(pw_store_inbox_put(f->store, &row, &f->err), PAWL_CONFLICT);
    EXPECT_TEXT(f->err.message,
                "instance 'i1' has another command under the key 'k1': use a new key");
    row = command("i1", "k1", "cancel", "{\"ok\":true}", 1800);
    EXPECT_INT(pw_store_inbox_put(f->store, &row, &f->err), PAWL_CONFLICT);
    row = command("nobody", "k1", "cancel", "", 1800);
    EXPECT_INT(pw_store_inbox_put(f->store, &row, &f->err), PAWL_NOT_FOUND);
    EXPECT_TEXT(f->err.message, "no instance 'nobody'");
    EXPECT_INT(pw_store_inbox_get(f->store, S("i1"), S("k2"), &got, &f->arena, &f->err),
               PAWL_NOT_FOUND);
}

STORE_TEST(pending_commands_come_oldest_first_until_a_step_consumes_them)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    have_instance(f, "i2", 1000);
    pw_inbox_row rows[] = { command("i2", "b", "cancel", "", 2000),
                            command("i1", "c", "cancel", "", 1500),
                            command("i1", "a", "cancel", "", 2000) };
    for (size_t i = 0; i < PW_LENGTH(rows); i++)
        EXPECT_OK(pw_store_inbox_put(f->store, &rows[i], &f->err), f->err);
    EXPECT_TEXT(pending(f, 10), "i1/c i1/a i2/b");
    EXPECT_TEXT(pending(f, 2), "i1/c i1/a");
    pw_transition t = transition(PW_CANCELLED, PW_WAKE_NEVER, "{}");
    pw_commit_item item = item_of("i1", 1, &t, 3000);
    item.inbox = (pw_inbox_use){ .key = S("c"), .answer = S("{\"code\":\"ok\"}"), .stored = true };
    must_commit(f, &item);
    restart(f);
    EXPECT_TEXT(pending(f, 10), "i1/a i2/b");
    pw_inbox_row got;
    EXPECT_OK(pw_store_inbox_get(f->store, S("i1"), S("c"), &got, &f->arena, &f->err), f->err);
    EXPECT_INT(got.consumed_step, 2);
    EXPECT_STR(got.answer, "{\"code\":\"ok\"}");
    EXPECT_INT(got.created_ms, 1500);
    EXPECT_STR(got.actor, "kim");
    /* The same command again, after its effect, is still a success. */
    EXPECT_OK(pw_store_inbox_put(f->store, &rows[1], &f->err), f->err);
}

STORE_TEST(a_command_has_its_effect_once)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_transition t = transition(PW_SUSPENDED, PW_WAKE_NEVER, "{}");
    pw_commit_item item = item_of("i1", 1, &t, 2000);
    item.inbox = (pw_inbox_use){
        .key = S("k"), .kind = S("suspend"), .payload = S("{}"), .actor = S("kim"), .answer = S("1")
    };
    must_commit(f, &item);
    pw_inbox_row got;
    EXPECT_OK(pw_store_inbox_get(f->store, S("i1"), S("k"), &got, &f->arena, &f->err), f->err);
    EXPECT_INT(got.consumed_step, 2);
    EXPECT_STR(got.kind, "suspend");
    EXPECT_STR(got.payload, "{}");
    EXPECT_STR(got.actor, "kim");
    EXPECT_STR(got.answer, "1");
    EXPECT_INT(got.created_ms, 2000);
    item.token = 2;
    EXPECT_INT(commit_one(f, &item), PAWL_CONFLICT);
    EXPECT_TEXT(item.error.message, "instance 'i1': the command 'k' has had its effect already");
    item.inbox.stored = true;
    EXPECT_INT(commit_one(f, &item), PAWL_CONFLICT);
    EXPECT_INT(get(f, "i1").token, 2);
    item.inbox.key = S("not stored");
    EXPECT_INT(commit_one(f, &item), PAWL_CONFLICT);
    EXPECT_INT(get(f, "i1").token, 2);
}

STORE_TEST(a_message_to_another_instance_is_sent_once_and_may_come_before_it)
{
    have_definition(f);
    pw_inbox_message message = { S("child-1"), S("from-i1-3"), S("start"), S("{\"n\":1}") };
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.messages = &message;
    t.message_count = 1;
    step(f, "i1", 0, &t, 1000);
    step(f, "i1", 1, &t, 2000);
    EXPECT_TEXT(pending(f, 10), "child-1/from-i1-3");
    pw_inbox_row got;
    EXPECT_OK(pw_store_inbox_get(f->store, S("child-1"), S("from-i1-3"), &got, &f->arena, &f->err),
              f->err);
    EXPECT_STR(got.kind, "start");
    EXPECT_STR(got.payload, "{\"n\":1}");
    EXPECT_INT(got.created_ms, 1000);
}

STORE_TEST(a_command_that_can_have_no_effect_is_returned_to_whoever_asked)
{
    have_definition(f);
    pw_inbox_message start = { S("child-1"), S("start"), S("start"), S("{\"n\":1}") };
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.messages = &start;
    t.message_count = 1;
    step(f, "i1", 0, &t, 1000);
    pw_inbox_row reply = command("i1", "child-1", "child-ended", "{\"error\":{}}", 2000);
    EXPECT_OK(pw_store_inbox_return(f->store, S("child-1"), S("start"), &reply, &f->err), f->err);
    restart(f);
    EXPECT_TEXT(pending(f, 10), "i1/child-1");
    pw_inbox_row got;
    EXPECT_OK(pw_store_inbox_get(f->store, S("i1"), S("child-1"), &got, &f->arena, &f->err),
              f->err);
    EXPECT_STR(got.kind, "child-ended");
    EXPECT_STR(got.payload, "{\"error\":{}}");
    EXPECT_INT(got.created_ms, 2000);
    EXPECT_INT(got.consumed_step, 0);
    /* Once more: it is not there, and nothing is sent twice. */
    reply = command("i1", "another", "child-ended", "{}", 2000);
    EXPECT_INT(pw_store_inbox_return(f->store, S("child-1"), S("start"), &reply, &f->err),
               PAWL_NOT_FOUND);
    EXPECT_TEXT(f->err.message, "no command 'start'");
    EXPECT_TEXT(pending(f, 10), "i1/child-1");
}

STORE_TEST(a_command_is_returned_without_a_reply_or_to_nobody)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    static const char *const keys[] = { "a", "b", "c" };
    for (size_t i = 0; i < PW_LENGTH(keys); i++) {
        pw_inbox_row row = command("i1", keys[i], "cancel", "{}", 1500);
        EXPECT_OK(pw_store_inbox_put(f->store, &row, &f->err), f->err);
    }
    EXPECT_OK(pw_store_inbox_return(f->store, S("i1"), S("a"), NULL, &f->err), f->err);
    EXPECT_TEXT(pending(f, 10), "i1/b i1/c");
    pw_inbox_row reply = command("gone", "k", "child-ended", "{}", 2000);
    EXPECT_OK(pw_store_inbox_return(f->store, S("i1"), S("b"), &reply, &f->err), f->err);
    EXPECT_TEXT(pending(f, 10), "i1/c");
    pw_transition t = transition(PW_CANCELLED, PW_WAKE_NEVER, "{}");
    pw_commit_item item = item_of("i1", 1, &t, 3000);
    item.inbox = (pw_inbox_use){ .key = S("c"), .stored = true };
    must_commit(f, &item);
    EXPECT_INT(pw_store_inbox_return(f->store, S("i1"), S("c"), NULL, &f->err), PAWL_NOT_FOUND);
    reply.kind = S("");
    EXPECT_INT(pw_store_inbox_return(f->store, S("i1"), S("c"), &reply, &f->err), PAWL_INVALID);
    pw_inbox_row got;
    EXPECT_OK(pw_store_inbox_get(f->store, S("i1"), S("c"), &got, &f->arena, &f->err), f->err);
    EXPECT_INT(got.consumed_step, 2);
}

/* ---- all of them */

STORE_TEST(rows_of_one_instance_are_not_seen_by_another)
{
    have_definition(f);
    pw_bookmark b = bookmark(1, "a");
    opens(f, 0, &b, 1);
    have_instance(f, "i2", 1000);
    pw_bookmark_row *bookmarks = NULL;
    pw_call_row *rows = NULL;
    pw_fault_row *faults = NULL;
    pw_outbox_row *events = NULL;
    size_t count = 9;
    EXPECT_OK(pw_store_bookmarks(f->store, S("i2"), false, &bookmarks, &count, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 0);
    count = 9;
    EXPECT_OK(pw_store_calls(f->store, S("i2"), false, &rows, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 0);
    count = 9;
    EXPECT_OK(pw_store_faults(f->store, S("i2"), &faults, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 0);
    count = 9;
    EXPECT_OK(pw_store_outbox(f->store, S("i2"), S(""), 9, &events, &count, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 0);
}

TEST_MAIN()
