/* conformance_clean.c - what both stores promise about what is old, and about room. */
#include <sqlite3.h>

#include "conformance.h"

/* ---- instances that have ended */

static const char DIGEST_A[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char DIGEST_B[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
static const char DIGEST_C[] = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";

/* Step 1 at created_ms, a child of `parent` ("": nobody's). */
static void begins(fixture *f, const char *id, const char *parent, int64_t created_ms)
{
    pw_instance_new n = order_new;
    n.parent = S(parent);
    n.labels = S("{\"shop\":\"7\"}");
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{\"at\":1}");
    pw_commit_item item = item_of(id, 0, &t, created_ms);
    item.create = &n;
    must_commit(f, &item);
}

static void ends(fixture *f, const char *id, uint64_t token, int64_t ended_ms)
{
    pw_transition t = transition(PW_COMPLETED, PW_WAKE_NEVER, "{\"at\":2}");
    t.output = S("{\"sum\":7}");
    step(f, id, token, &t, ended_ms);
}

static void have_ended(fixture *f, const char *id, const char *parent, int64_t created_ms, int64_t ended_ms)
{
    begins(f, id, parent, created_ms);
    ends(f, id, 1, ended_ms);
}

/* ---- cleaning */

static pw_clean cleaning(pw_clean_kind kind, int64_t before_ms)
{
    return (pw_clean){ .kind = kind, .before_ms = before_ms, .now_ms = 100000, .most = 100 };
}

static void clean(fixture *f, pw_clean *c)
{
    EXPECT_OK(pw_store_clean(f->store, c, &f->err), f->err);
}

/* To its end: what went in all, and in how many transactions. */
static uint64_t clean_all(fixture *f, pw_clean *c, unsigned *calls)
{
    uint64_t found = 0;
    unsigned n = 0;
    do {
        clean(f, c);
        found += c->found;
        n++;
    } while (c->more && n < 100);
    EXPECT(!c->more);
    if (calls)
        *calls = n;
    return found;
}

static uint64_t clean_kind(fixture *f, pw_clean_kind kind, int64_t before_ms)
{
    pw_clean c = cleaning(kind, before_ms);
    return clean_all(f, &c, NULL);
}

static bool is_there(fixture *f, const char *id)
{
    pw_instance_row row;
    pawl_code code = pw_store_instance_get(f->store, S(id), true, &row, &f->arena, &f->err);
    EXPECT(code == PAWL_OK || code == PAWL_NOT_FOUND);
    return code == PAWL_OK;
}

static bool is_tombstone(fixture *f, const char *id)
{
    return get(f, id).cleaned_ms != 0;
}

static size_t steps_of(fixture *f, const char *id)
{
    pw_step_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_steps(f->store, S(id), 1, 100, &rows, &count, &f->arena, &f->err), f->err);
    return count;
}

static bool has_payload(fixture *f, const char *id, const char *digest)
{
    pw_str text;
    return pw_store_payload_get(f->store, S(id), S(digest), &text, &f->arena, &f->err) == PAWL_OK;
}

/* ---- instances */

STORE_TEST(an_instance_that_ended_long_ago_leaves_its_log)
{
    have_definition(f);
    begins(f, "i1", "", 1000);
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    pw_call_intent call = { .task = S("/do/0/a"), .kind = S("http"), .endpoint = S("http://h/x"), .method = S("get"),
                                  .request = S("{}"), .key = S("k1"), .visit = 3, .attempt = 1 };
    t.calls = &call;
    t.call_count = 1;
    pw_bookmark mark = { .kind = PW_BOOKMARK_USER, .task = S("/do/0/a"), .visit = 4, .key = S("b1"), .due_at = -1 };
    t.bookmarks = &mark;
    t.bookmark_count = 1;
    step(f, "i1", 1, &t, 1500);
    ends(f, "i1", 2, 2000);
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 2000), 0); /* not older */
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 2001), 1);
    restart(f);
    pw_instance_row row = get(f, "i1");
    EXPECT_INT(row.cleaned_ms, 100000);
    EXPECT_INT(row.status, PW_COMPLETED);
    EXPECT_INT(row.ended_ms, 2000);
    EXPECT_STR(row.state, "");
    EXPECT_STR(row.output, "");
    EXPECT_STR(row.labels, "{\"shop\":\"7\"}");
    EXPECT_INT(row.token, 3);
    EXPECT_INT(steps_of(f, "i1"), 3);
    pw_call_row *calls = NULL;
    pw_bookmark_row *marks = NULL;
    size_t count = 9;
    EXPECT_OK(pw_store_calls(f->store, S("i1"), false, &calls, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 0);
    count = 9;
    EXPECT_OK(pw_store_bookmarks(f->store, S("i1"), false, &marks, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 0);
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 90000), 0); /* once is enough */
}

STORE_TEST(who_has_read_an_instance_before_it_was_cleaned_up_has_lost)
{
    have_definition(f);
    have_ended(f, "i1", "", 1000, 2000);
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 3000), 1);
    pw_transition t = transition(PW_RUNNING, 0, "{}");
    pw_commit_item item = item_of("i1", 2, &t, 4000);
    EXPECT_INT(commit_one(f, &item), PAWL_CONFLICT);
    EXPECT(is_tombstone(f, "i1"));
    EXPECT_OK(pw_store_instance_delete(f->store, S("i1"), 2, &f->err), f->err);
    EXPECT(!is_there(f, "i1"));
}

STORE_TEST(what_has_not_ended_is_never_touched_however_old_it_is)
{
    have_definition(f);
    begins(f, "i1", "", 1000);
    for (int kind = 0; kind < PW_CLEAN_KINDS; kind++)
        EXPECT_INT(clean_kind(f, (pw_clean_kind)kind, INT64_MAX), 0);
    EXPECT_STR(get(f, "i1").state, "{\"at\":1}");
    EXPECT_INT(steps_of(f, "i1"), 1);
}

STORE_TEST(what_has_an_open_incident_is_never_touched)
{
    have_definition(f);
    begins(f, "i1", "", 1000);
    pw_fault fault = { .task = S("/do/0/a"), .kind = S("activity"), .error = S("{\"title\":\"no\"}"),
                             .class_ = S("other"), .decision = S("incident"), .action = S("look"), .attempt = 1 };
    pw_transition t = transition(PW_FAULTED, PW_WAKE_NEVER, "{\"at\":2}");
    t.fault = &fault;
    step(f, "i1", 1, &t, 2000);
    for (int kind = 0; kind < PW_CLEAN_KINDS; kind++)
        EXPECT_INT(clean_kind(f, (pw_clean_kind)kind, INT64_MAX), 0);
    EXPECT_STR(get(f, "i1").state, "{\"at\":2}");
    t = transition(PW_FAULTED, PW_WAKE_NEVER, "{\"at\":3}");
    t.resolution = S("given-up");
    pw_commit_item item = item_of("i1", 2, &t, 3000);
    item.actor = S("kim");
    must_commit(f, &item);
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 4000), 1);
    EXPECT(is_tombstone(f, "i1"));
}

STORE_TEST(what_was_asked_of_an_instance_is_answered_before_it_goes)
{
    have_definition(f);
    have_ended(f, "i1", "", 1000, 2000);
    pw_inbox_row ask = { .target = S("i1"), .key = S("request:k"), .kind = S("compensate"), .actor = S("kim"),
                         .created_ms = 2500 };
    EXPECT_OK(pw_store_inbox_put(f->store, &ask, &f->err), f->err);
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 9000), 0);
    EXPECT_OK(pw_store_inbox_return(f->store, S("i1"), S("request:k"), NULL, &f->err), f->err);
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 9000), 1);
}

STORE_TEST(a_child_goes_when_its_parents_may_go)
{
    have_definition(f);
    begins(f, "top", "", 1000);
    have_ended(f, "mid", "top", 1100, 2000);
    have_ended(f, "low", "mid", 1200, 1500);
    have_ended(f, "orphan", "nobody", 1200, 1500);
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 9000), 1); /* the orphan: what undoes `top` undoes the others */
    EXPECT(is_tombstone(f, "orphan"));
    ends(f, "top", 1, 8000);
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 8000), 0); /* it has ended, but not long ago */
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 8001), 3);
    EXPECT(is_tombstone(f, "top") && is_tombstone(f, "mid") && is_tombstone(f, "low"));
}

STORE_TEST(a_parent_goes_when_its_children_have_ended)
{
    have_definition(f);
    have_ended(f, "top", "", 1000, 2000);
    begins(f, "low", "top", 1100);
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 9000), 0);
    ends(f, "low", 1, 3000);
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 2500), 1); /* the child is too young yet */
    EXPECT(is_tombstone(f, "top"));
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 9000), 1); /* its parent is a tombstone */
}

STORE_TEST(the_schedule_of_a_definition_stays)
{
    have_definition(f);
    pw_instance_new n = order_new;
    n.schedule = true;
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    pw_commit_item item = item_of("s1", 0, &t, 1000);
    item.create = &n;
    must_commit(f, &item);
    ends(f, "s1", 1, 2000);
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 9000), 0);
    EXPECT_INT(clean_kind(f, PW_CLEAN_STEPS, 9000), 0);
}

STORE_TEST(only_payloads_that_the_log_names_stay)
{
    have_definition(f);
    begins(f, "i1", "", 1000);
    char entries[256], value[256];
    (void)snprintf(entries, sizeof entries, "[{\"output\":{\"$payload\":\"%s\"}}]", DIGEST_A);
    (void)snprintf(value, sizeof value, "[{\"$payload\":\"%s\"}]", DIGEST_B); /* one names another */
    const pw_payload payloads[] = { { S(DIGEST_A), S(value) }, { S(DIGEST_B), S("\"large\"") }, { S(DIGEST_C), S("\"unnamed\"") } };
    pw_transition t = transition(PW_COMPLETED, PW_WAKE_NEVER, "{}");
    t.payloads = payloads;
    t.payload_count = 3;
    t.entries = S(entries);
    step(f, "i1", 1, &t, 2000);
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 9000), 1);
    EXPECT(has_payload(f, "i1", DIGEST_A));
    EXPECT(has_payload(f, "i1", DIGEST_B));
    EXPECT(!has_payload(f, "i1", DIGEST_C));
    EXPECT_INT(clean_kind(f, PW_CLEAN_STEPS, 1500), 1);
    EXPECT(has_payload(f, "i1", DIGEST_B));
    EXPECT_INT(clean_kind(f, PW_CLEAN_STEPS, 9000), 1);
    EXPECT(!is_there(f, "i1"));
    EXPECT(!has_payload(f, "i1", DIGEST_A));
}

/* ---- the log */

STORE_TEST(old_steps_go_and_the_tombstone_with_the_last_of_them)
{
    have_definition(f);
    have_ended(f, "i1", "", 1000, 2000);
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 9000), 1);
    EXPECT_INT(clean_kind(f, PW_CLEAN_STEPS, 1000), 0);
    EXPECT_INT(clean_kind(f, PW_CLEAN_STEPS, 2000), 1);
    EXPECT_INT(steps_of(f, "i1"), 1);
    EXPECT(is_tombstone(f, "i1"));
    EXPECT_INT(clean_kind(f, PW_CLEAN_STEPS, 2001), 1);
    EXPECT(!is_there(f, "i1"));
    restart(f);
    EXPECT(!is_there(f, "i1"));
}

STORE_TEST(old_steps_of_an_ended_instance_go_also_while_it_is_whole)
{
    have_definition(f);
    have_ended(f, "i1", "", 1000, 2000);
    begins(f, "i2", "", 1000);
    step(f, "i2", 1, &(pw_transition){ .changed = true, .status = PW_WAITING, .wake_at = PW_WAKE_NEVER,
                                       .state_text = S("{}"), .entries = S("[]") }, 1500);
    EXPECT_INT(clean_kind(f, PW_CLEAN_STEPS, 9000), 2);
    EXPECT_INT(steps_of(f, "i1"), 0);
    EXPECT_STR(get(f, "i1").state, "{\"at\":2}");
    EXPECT_INT(steps_of(f, "i2"), 2);
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 9000), 1);
    EXPECT(!is_there(f, "i1")); /* no log: no tombstone */
}

/* ---- events, bulk operations, breakers */

STORE_TEST(events_of_ended_instances_go_alone)
{
    have_definition(f);
    begins(f, "i1", "", 1000);
    begins(f, "i2", "", 1000);
    pw_outbox_event event = { .id = S("i1-2-0"), .type = S("t"), .source = S("s"), .payload = S("{}") };
    pw_transition t = transition(PW_COMPLETED, PW_WAKE_NEVER, "{}");
    t.events = &event;
    t.event_count = 1;
    step(f, "i1", 1, &t, 2000);
    pw_outbox_event other = { .id = S("i2-2-0"), .type = S("t"), .source = S("s"), .payload = S("{}") };
    t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.events = &other;
    t.event_count = 1;
    step(f, "i2", 1, &t, 2000);
    EXPECT_INT(clean_kind(f, PW_CLEAN_EVENTS, 2000), 0);
    EXPECT_INT(clean_kind(f, PW_CLEAN_EVENTS, 9000), 1);
    pw_outbox_row *rows = NULL;
    size_t count = 9;
    EXPECT_OK(pw_store_outbox(f->store, S("i1"), S(""), 10, &rows, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 0);
    EXPECT_OK(pw_store_outbox(f->store, S("i2"), S(""), 10, &rows, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 1);
    EXPECT(!is_tombstone(f, "i1"));
}

static void have_bulk(fixture *f, const char *id, int64_t ended_ms)
{
    const pw_bulk_failure failure = { S("i1"), S("state"), S("it has ended") };
    pw_bulk b = { .id = S(id), .request = S("{}"), .actor = S("kim"), .created_ms = 1000, .failed = 1, .lease_ms = -1,
                  .changed_ms = 1000, .ended_ms = -1 };
    bool won = false;
    if (ended_ms >= 0) {
        b.state = PW_BULK_DONE;
        b.changed_ms = ended_ms;
    }
    EXPECT_OK(pw_store_bulk_set(f->store, &b, &failure, 1, &won, &f->err), f->err);
    EXPECT(won);
}

STORE_TEST(bulk_operations_that_are_done_go_with_their_failures)
{
    have_bulk(f, "b1", 2000);
    have_bulk(f, "b2", 3000);
    have_bulk(f, "b3", -1);
    pw_clean c = cleaning(PW_CLEAN_BULKS, 3000);
    clean(f, &c);
    EXPECT_INT(c.found, 1);
    if (f->on_disk)
        EXPECT_INT(c.rows, 2);
    EXPECT_INT(clean_kind(f, PW_CLEAN_BULKS, INT64_MAX), 1);
    pw_bulk *rows = NULL;
    size_t count = 0;
    pw_str none = { "", 0 };
    EXPECT_OK(pw_store_bulks(f->store, false, none, 10, &rows, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 1);
    EXPECT_STR(rows[0].id, "b3");
}

static void have_breaker(fixture *f, const char *service, pw_breaker_state state, pw_breaker_force forced)
{
    const pw_breaker_record b = { .service = S(service), .state = state, .forced = forced, .open_until_ms = state == PW_BREAKER_OPEN ? 5000 : -1,
                                  .probe_until_ms = -1, .changed_ms = 2000, .changed_by = S("system") };
    pw_breaker_record now;
    bool won = false;
    EXPECT_OK(pw_store_breaker_set(f->store, &b, &won, &now, &f->arena, &f->err), f->err);
    EXPECT(won);
}

STORE_TEST(breakers_that_are_closed_and_not_forced_are_forgotten)
{
    have_breaker(f, "a", PW_BREAKER_CLOSED, PW_BREAKER_AUTO);
    have_breaker(f, "b", PW_BREAKER_OPEN, PW_BREAKER_AUTO);
    have_breaker(f, "c", PW_BREAKER_CLOSED, PW_BREAKER_FORCED_CLOSED);
    EXPECT_INT(clean_kind(f, PW_CLEAN_BREAKERS, 2000), 0);
    EXPECT_INT(clean_kind(f, PW_CLEAN_BREAKERS, 9000), 1);
    pw_breaker_record *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_breakers(f->store, &rows, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 2);
}

/* ---- transactions */

STORE_TEST(a_transaction_takes_as_many_as_are_wanted_the_oldest_first)
{
    have_definition(f);
    static const char *const ids[] = { "i0", "i1", "i2", "i3", "i4" };
    for (size_t i = 0; i < PW_LENGTH(ids); i++)
        have_ended(f, ids[i], "", 1000, 5000 - (int64_t)i * 100);
    begins(f, "living", "", 100);
    pw_clean c = cleaning(PW_CLEAN_INSTANCES, 9000);
    c.most = 2;
    clean(f, &c);
    EXPECT_INT(c.found, 2);
    EXPECT(c.more);
    EXPECT(is_tombstone(f, "i4") && is_tombstone(f, "i3") && !is_tombstone(f, "i2"));
    unsigned calls = 0;
    EXPECT_INT(clean_all(f, &c, &calls), 3);
    EXPECT_INT(calls, 2);
    c = cleaning(PW_CLEAN_STEPS, 9000);
    c.most = 3;
    clean(f, &c);
    EXPECT_INT(c.found, 3); /* a part of what it has: two of the oldest, one of the next */
    EXPECT(!is_there(f, "i4"));
    EXPECT_INT(steps_of(f, "i3"), 1);
    EXPECT_INT(clean_all(f, &c, NULL), 7);
    EXPECT(!is_there(f, "i0"));
    EXPECT(is_there(f, "living"));
}

STORE_TEST(a_dry_run_counts_what_would_go_and_deletes_nothing)
{
    have_definition(f);
    static const char *const ids[] = { "i0", "i1", "i2" };
    for (size_t i = 0; i < PW_LENGTH(ids); i++)
        have_ended(f, ids[i], "", 1000, 2000);
    pw_clean dry = cleaning(PW_CLEAN_INSTANCES, 9000);
    dry.dry_run = true;
    dry.most = 1;
    EXPECT_INT(clean_all(f, &dry, NULL), 3);
    dry = cleaning(PW_CLEAN_STEPS, 9000);
    dry.dry_run = true;
    dry.most = 1;
    EXPECT_INT(clean_all(f, &dry, NULL), 6);
    EXPECT(!is_tombstone(f, "i0"));
    EXPECT_INT(steps_of(f, "i2"), 2);
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 9000), 3);
    EXPECT_INT(clean_kind(f, PW_CLEAN_STEPS, 9000), 6);
}

STORE_TEST(what_cannot_be_cleaned_is_refused)
{
    pw_clean c = cleaning(PW_CLEAN_INSTANCES, 9000);
    c.most = 0;
    EXPECT_INT(pw_store_clean(f->store, &c, &f->err), PAWL_INVALID);
    EXPECT_TEXT(f->err.message, "one transaction cleans up 1 to 1000 rows, not 0");
    c.most = 1001;
    EXPECT_INT(pw_store_clean(f->store, &c, &f->err), PAWL_INVALID);
    c.most = 1;
    c.kind = PW_CLEAN_KINDS;
    EXPECT_INT(pw_store_clean(f->store, &c, &f->err), PAWL_INVALID);
}

/* ---- rows that are shown before they go */

typedef struct shown {
    char text[8192];
    size_t len, flushed;
    unsigned rows, fail_at, fail_flush;
} shown;

static pawl_code show_row(void *context, pw_str json, pawl_error *err)
{
    shown *s = context;
    if (++s->rows == s->fail_at)
        return pw_fail(err, PAWL_IO, "no room");
    if (s->len + json.len + 1 < sizeof s->text) {
        memcpy(s->text + s->len, json.ptr, json.len);
        s->len += json.len;
        s->text[s->len++] = '\n';
    }
    return PAWL_OK;
}

static pawl_code flush_rows(void *context, pawl_error *err)
{
    shown *s = context;
    if (s->fail_flush)
        return pw_fail(err, PAWL_IO, "no sync");
    s->flushed = s->len;
    return PAWL_OK;
}

TEST(export, each_row_is_shown_before_it_goes)
{
    static fixture f;
    fixture_open(&f, true);
    have_definition(&f);
    have_ended(&f, "i1", "", 1000, 2000);
    static shown s;
    memset(&s, 0, sizeof s);
    pw_clean c = cleaning(PW_CLEAN_INSTANCES, 9000);
    c.row = show_row;
    c.flush = flush_rows;
    c.context = &s;
    EXPECT_INT(clean_all(&f, &c, NULL), 1);
    EXPECT_INT(s.rows, 1);
    EXPECT_INT(s.flushed, s.len);
    EXPECT_CONTAINS(s.text, "{\"table\":\"instance\",\"id\":\"i1\"");
    EXPECT_CONTAINS(s.text, ",\"labels\":{\"shop\":\"7\"},");
    EXPECT_CONTAINS(s.text, ",\"output\":{\"sum\":7},\"state_format\":5,\"state\":{\"at\":2}}\n");
    memset(&s, 0, sizeof s);
    c = cleaning(PW_CLEAN_STEPS, 9000);
    c.row = show_row;
    c.flush = flush_rows;
    c.context = &s;
    EXPECT_INT(clean_all(&f, &c, NULL), 2);
    EXPECT_INT(s.rows, 3); /* and what is left of the instance */
    EXPECT_CONTAINS(s.text, "{\"table\":\"step\",\"instance\":\"i1\",\"sequence\":1,\"event\":\"start\",\"at_ms\":1000,");
    EXPECT_CONTAINS(s.text, ",\"entries\":[{\"did\":\"something\"}]}\n");
    EXPECT(!is_there(&f, "i1"));
    fixture_done(&f);
}

TEST(export, nothing_goes_that_could_not_be_shown)
{
    static fixture f;
    fixture_open(&f, true);
    have_definition(&f);
    have_ended(&f, "i1", "", 1000, 2000);
    have_ended(&f, "i2", "", 1000, 2000);
    static shown s;
    memset(&s, 0, sizeof s);
    s.fail_at = 2;
    pw_clean c = cleaning(PW_CLEAN_INSTANCES, 9000);
    c.row = show_row;
    c.flush = flush_rows;
    c.context = &s;
    EXPECT_INT(pw_store_clean(f.store, &c, &f.err), PAWL_IO);
    EXPECT_TEXT(f.err.message, "no room");
    s.fail_at = 0;
    s.fail_flush = 1;
    EXPECT_INT(pw_store_clean(f.store, &c, &f.err), PAWL_IO);
    EXPECT_TEXT(f.err.message, "no sync");
    EXPECT(!is_tombstone(&f, "i1") && !is_tombstone(&f, "i2"));
    s.fail_flush = 0;
    EXPECT_INT(clean_all(&f, &c, NULL), 2);
    fixture_done(&f);
}

TEST(export, a_store_in_memory_has_no_rows_to_show)
{
    static fixture f;
    fixture_open(&f, false);
    pw_clean c = cleaning(PW_CLEAN_INSTANCES, 9000);
    c.row = show_row;
    EXPECT_INT(pw_store_clean(f.store, &c, &f.err), PAWL_INVALID);
    EXPECT_TEXT(f.err.message, "a store in memory has no rows to export: take the path away");
    fixture_done(&f);
}

/* ---- the log of what lives cannot be deleted by SQL either */

TEST(sql, the_log_of_what_has_not_ended_cannot_be_deleted)
{
    static fixture f;
    fixture_open(&f, true);
    have_definition(&f);
    begins(&f, "i1", "", 1000);
    have_ended(&f, "i2", "", 1000, 2000);
    sqlite3 *db = NULL;
    EXPECT_INT(sqlite3_open(pw_store_path(f.store).ptr, &db), SQLITE_OK);
    EXPECT_INT(sqlite3_exec(db, "DELETE FROM step WHERE instance = 'i1'", NULL, NULL, NULL), SQLITE_CONSTRAINT);
    EXPECT_TEXT(sqlite3_errmsg(db),
                "the execution log is append-only: it goes with its instance, or when that has ended long ago");
    EXPECT_INT(sqlite3_exec(db, "DELETE FROM step WHERE instance = 'i2'", NULL, NULL, NULL), SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    fixture_done(&f);
}

/* ---- room */

STORE_TEST(the_room_that_a_store_takes_is_told)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_store_space space;
    EXPECT_OK(pw_store_space_look(f->store, &space, &f->err), f->err);
    EXPECT(space.disk_free_bytes > 0);
    EXPECT(space.disk_bytes >= space.disk_free_bytes);
    if (!f->on_disk) {
        EXPECT(space.disk_free_bytes == UINT64_MAX);
        EXPECT_INT(space.file_bytes + space.free_bytes + space.wal_bytes, 0);
        return;
    }
    EXPECT(space.wal_bytes > 0); /* what was committed, and is not yet in the file */
    restart(f);
    EXPECT_OK(pw_store_space_look(f->store, &space, &f->err), f->err);
    EXPECT(space.file_bytes > 0);
    EXPECT_INT(space.file_bytes % 4096, 0);
}

STORE_TEST(room_of_what_went_is_given_back)
{
    enum { LARGE = 100000, ROUNDS = 40 };
    static char state[LARGE];
    memset(state, 's', sizeof state);
    have_definition(f);
    char id[8];
    for (int i = 0; i < ROUNDS; i++) {
        (void)snprintf(id, sizeof id, "i%d", i);
        begins(f, id, "", 1000);
        pw_transition t = transition(PW_COMPLETED, PW_WAKE_NEVER, "");
        t.state_text = (pw_str){ state, sizeof state };
        step(f, id, 1, &t, 2000);
    }
    restart(f); /* all of the log is in the file */
    pw_store_space before, after;
    uint64_t given = 9, left = 9, all = 0;
    EXPECT_OK(pw_store_space_look(f->store, &before, &f->err), f->err);
    EXPECT_INT(clean_kind(f, PW_CLEAN_INSTANCES, 9000), ROUNDS);
    EXPECT_OK(pw_store_vacuum(f->store, 0, &given, &left, &f->err), f->err);
    EXPECT_INT(given, 0);
    EXPECT(left >= (f->on_disk ? ROUNDS * 24u : 0));
    do {
        EXPECT_OK(pw_store_vacuum(f->store, 300, &given, &left, &f->err), f->err);
        EXPECT(given <= 300);
        all += given;
    } while (given > 0);
    EXPECT_INT(left, 0);
    EXPECT(all >= (f->on_disk ? ROUNDS * 24u : 0));
    restart(f);
    EXPECT_OK(pw_store_space_look(f->store, &after, &f->err), f->err);
    if (f->on_disk)
        EXPECT(before.file_bytes - after.file_bytes >= all * 4096);
    EXPECT_INT(after.free_bytes, 0);
    EXPECT_INT(steps_of(f, "i7"), 2);
}

TEST_MAIN()
