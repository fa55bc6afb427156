/* conformance_audit.c - what must never be, and what every store finds of it. A transition is plain data, and the store takes it
 * as it is: so most of it can be committed here, although core would never decide it. */
#include "messages.h"

/* "INSTANCE:HOW:NUMBER:WHAT@SINCE ..." of a kind, as pages of one row looked at give it; and pages of a thousand give the same. */
static const char *found_before(fixture *f, pw_audit_kind kind, int64_t before_ms)
{
    static char by_one[512];
    for (int large = 0; large < 2; large++) {
        pw_str next = { "", 0 };
        words_begin();
        do {
            pw_audit_row *rows = NULL;
            size_t count = 0;
            uint32_t looked = 99, limit = large ? PW_PAGE_MAX : 1;
            EXPECT_OK(pw_store_audit(f->store, kind, PW_ALL_PARTITIONS, before_ms, next, limit, &rows, &count, &looked,
                                     &next, &f->arena, &f->err),
                      f->err);
            EXPECT(looked <= limit && count <= looked);
            for (size_t i = 0; i < count; i++)
                word(PW_FMT ":" PW_FMT ":%llu:" PW_FMT "@%lld", PW_ARG(rows[i].instance), PW_ARG(rows[i].how),
                     (unsigned long long)rows[i].number, PW_ARG(rows[i].what), (long long)rows[i].since_ms);
        } while (next.len > 0);
        if (!large)
            (void)snprintf(by_one, sizeof by_one, "%s", words_text);
    }
    EXPECT_TEXT(words_text, by_one);
    return by_one;
}

static const char *found(fixture *f, pw_audit_kind kind)
{
    return found_before(f, kind, 100000);
}

static void nothing_is_found(fixture *f)
{
    for (unsigned kind = 0; kind < PW_AUDIT_KINDS; kind++)
        EXPECT_TEXT(found(f, (pw_audit_kind)kind), "");
}

/* A step that opens one bookmark. */
static void wait_at(fixture *f, const char *id, uint64_t token, pw_bookmark_kind kind, const char *key, int64_t wake_at)
{
    pw_transition t = transition(PW_WAITING, wake_at, "{}");
    pw_bookmark bookmark = { .kind = kind, .task = S("/do/0"), .visit = 1, .key = S(key), .due_at = -1 };
    t.bookmarks = &bookmark;
    t.bookmark_count = 1;
    step(f, id, token, &t, 1000);
}

static void end_as(fixture *f, const char *id, uint64_t token, pw_status status)
{
    pw_transition t = transition(status, PW_WAKE_NEVER, "{}");
    step(f, id, token, &t, 2000);
}

static void have_child(fixture *f, const char *id, const char *parent)
{
    pw_instance_new n = order_new;
    pw_transition t = transition(PW_PENDING, 200000, "{}");
    n.parent = S(parent);
    pw_commit_item item = item_of(id, 0, &t, 1500);
    item.create = &n;
    must_commit(f, &item);
}

static void tell(fixture *f, const char *target, const char *key, const char *kind, int64_t now_ms)
{
    const pw_inbox_row row = { .target = S(target), .key = S(key), .kind = S(kind), .payload = S("{}"), .created_ms = now_ms };
    EXPECT_OK(pw_store_inbox_put(f->store, &row, &f->err), f->err);
}

/* The same to what is not there yet, by a new instance that has ended. */
static void start_other(fixture *f, const char *from, const char *target, int64_t now_ms)
{
    pw_transition t = transition(PW_COMPLETED, PW_WAKE_NEVER, "{}");
    pw_inbox_message message = { .target = S(target), .dedupe_key = S("start"), .kind = S("start"), .payload = S("{}") };
    t.messages = &message;
    t.message_count = 1;
    step(f, from, 0, &t, now_ms);
}

STORE_TEST(a_store_in_which_all_is_well_has_no_findings)
{
    have_definition(f);
    nothing_is_found(f);
    wait_at(f, "user", 0, PW_BOOKMARK_USER, "approve", PW_WAKE_NEVER);
    wait_at(f, "timer", 0, PW_BOOKMARK_TIMER, "later", 200000);
    wait_at(f, "parent", 0, PW_BOOKMARK_CHILD, "child", PW_WAKE_NEVER);
    have_child(f, "child", "parent");
    have_listener(f, "hears", "h1");
    end_as(f, "done", 0, PW_COMPLETED);
    end_as(f, "stopped", 0, PW_SUSPENDED);
    nothing_is_found(f);
}

STORE_TEST(what_waits_and_has_nothing_that_could_move_it_is_found_asleep)
{
    have_definition(f);
    have_instance(f, "lost-1", 1000);
    wait_at(f, "lost-2", 0, PW_BOOKMARK_TIMER, "later", PW_WAKE_NEVER);
    wait_at(f, "lost-3", 0, PW_BOOKMARK_MESSAGE, "deaf", PW_WAKE_NEVER);
    pw_transition timed = transition(PW_WAITING, 200000, "{}"); /* the next attempt, or nothing: the state knows */
    step(f, "timed", 0, &timed, 1000);
    timed.status = PW_PENDING;
    step(f, "later", 0, &timed, 1000);
    wait_at(f, "told", 0, PW_BOOKMARK_TIMER, "later", PW_WAKE_NEVER);
    tell(f, "told", "k", "cancel", 1000);
    EXPECT_TEXT(found(f, PW_AUDIT_ASLEEP), "lost-1:nothing:1:@1000 lost-2:nothing:1:@1000 lost-3:nothing:1:@1000 timed:only-time:1:@1000");
    EXPECT_TEXT(found_before(f, PW_AUDIT_ASLEEP, 1000), ""); /* too young to say */
    pw_transition t = transition(PW_RUNNING, PW_WAKE_NEVER, "{}");
    step(f, "lost-1", 1, &t, 3000);
    t.status = PW_COMPENSATING;
    step(f, "lost-2", 1, &t, 3000);
    EXPECT_TEXT(found(f, PW_AUDIT_ASLEEP), "lost-1:nothing:2:@3000 lost-3:nothing:1:@1000 timed:only-time:1:@1000 lost-2:nothing:2:@3000");
}

STORE_TEST(a_child_that_cannot_end_moves_nobody)
{
    have_definition(f);
    wait_at(f, "p1", 0, PW_BOOKMARK_CHILD, "never-begun", PW_WAKE_NEVER);
    wait_at(f, "p2", 0, PW_BOOKMARK_CHILD, "ended", PW_WAKE_NEVER);
    wait_at(f, "p3", 0, PW_BOOKMARK_CHILD, "begins", PW_WAKE_NEVER);
    have_child(f, "ended", "p2");
    end_as(f, "ended", 1, PW_COMPLETED);
    start_other(f, "z", "begins", 1000);
    EXPECT_TEXT(found(f, PW_AUDIT_ASLEEP), "p1:nothing:1:@1000 p2:nothing:1:@1000");
    EXPECT_TEXT(found(f, PW_AUDIT_BOOKMARK), "p1:child:1:never-begun@1000 p2:child:1:ended@1000");
    tell(f, "p2", "child-ended", "child-ended", 2000);
    EXPECT_TEXT(found(f, PW_AUDIT_ASLEEP), "p1:nothing:1:@1000");
    EXPECT_TEXT(found(f, PW_AUDIT_BOOKMARK), "p1:child:1:never-begun@1000");
}

STORE_TEST(what_is_due_for_long_is_found_overdue)
{
    have_definition(f);
    wait_at(f, "late", 0, PW_BOOKMARK_TIMER, "t", 5000);
    wait_at(f, "later", 0, PW_BOOKMARK_TIMER, "t", 6000);
    pw_transition t = transition(PW_RUNNING, 0, "{}");
    step(f, "runs", 0, &t, 5500);
    EXPECT_TEXT(found(f, PW_AUDIT_OVERDUE), "runs:not-driven:1:@5500 late:late:1:@5000 later:late:1:@6000");
    EXPECT_TEXT(found_before(f, PW_AUDIT_OVERDUE, 6000), "runs:not-driven:1:@5500 late:late:1:@5000");
    EXPECT_TEXT(found_before(f, PW_AUDIT_OVERDUE, 5500), "late:late:1:@5000");
    EXPECT_TEXT(found_before(f, PW_AUDIT_OVERDUE, 5000), "");
}

STORE_TEST(a_pending_call_that_nobody_will_make_is_found)
{
    have_definition(f);
    pw_call_intent intent = { .task = S("/do/0/pay"), .visit = 3, .attempt = 1, .kind = S("http"), .endpoint = S("http://x/"),
                              .method = S("POST"), .request = S("{}"), .key = S("key-1"), .timeout_ms = 30000 };
    pw_transition t = transition(PW_WAITING, 0, "{}");
    t.calls = &intent;
    t.call_count = 1;
    step(f, "good", 0, &t, 1000);
    step(f, "over", 0, &t, 1000);
    end_as(f, "over", 1, PW_CANCELLED);
    t.status = PW_SUSPENDED;
    t.wake_at = PW_WAKE_NEVER;
    step(f, "paused", 0, &t, 1000);
    t.status = PW_WAITING;
    step(f, "still", 0, &t, 1000);
    EXPECT_TEXT(found(f, PW_AUDIT_CALL), "over:ended:3:key-1@1000 still:not-driven:3:key-1@1000");
}

STORE_TEST(a_child_whose_parent_does_not_wait_for_it_is_a_candidate)
{
    have_definition(f);
    wait_at(f, "parent", 0, PW_BOOKMARK_CHILD, "good", PW_WAKE_NEVER);
    have_child(f, "good", "parent");
    have_child(f, "unknown", "parent");
    have_child(f, "left", "nobody");
    have_child(f, "told", "nobody");
    tell(f, "told", "stop-by-parent", "cancel", 1000);
    have_child(f, "over", "nobody");
    end_as(f, "over", 1, PW_COMPLETED);
    EXPECT_TEXT(found(f, PW_AUDIT_ORPHAN), "left:gone:1:nobody@1500 unknown:not-waiting:1:parent@1500");
    EXPECT_TEXT(found_before(f, PW_AUDIT_ORPHAN, 1500), "");
    end_as(f, "parent", 1, PW_COMPLETED); /* which ends its bookmark */
    EXPECT_TEXT(found(f, PW_AUDIT_ORPHAN),
                "good:not-waiting:1:parent@1500 left:gone:1:nobody@1500 unknown:not-waiting:1:parent@1500");
}

STORE_TEST(a_row_of_the_inbox_that_nobody_takes_is_found)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    tell(f, "i1", "b", "cancel", 3000);
    tell(f, "i1", "a", "cancel", 3000);
    start_other(f, "z", "i2", 2000);
    EXPECT_TEXT(found(f, PW_AUDIT_INBOX), "i2:not-taken:0:start@2000 i1:not-taken:0:cancel@3000 i1:not-taken:0:cancel@3000");
    EXPECT_TEXT(found_before(f, PW_AUDIT_INBOX, 3000), "i2:not-taken:0:start@2000");
}

/* The message was received at 2000, and is routed then. */
STORE_TEST(a_message_that_was_delivered_and_never_taken_is_found)
{
    have_definition(f);
    have_listener(f, "hears", "h1");
    EXPECT_TEXT(found(f, PW_AUDIT_DELIVERY), "");
    EXPECT_TEXT(route(f, receive(f, "m1"), "h1"), "delivered to 1");
    EXPECT_TEXT(found_before(f, PW_AUDIT_DELIVERY, 2000), "");
    const char *how = found(f, PW_AUDIT_DELIVERY);
    if (strncmp(how, "hears:not-taken:1:@", 19) != 0)
        fail_msg("%s", how);
    pw_transition t = transition(PW_RUNNING, 0, "{}"); /* it is at something else */
    step(f, "hears", 1, &t, 3000);
    EXPECT_TEXT(found(f, PW_AUDIT_DELIVERY), "");
    stop_listening(f, "hears", 2);
    how = found(f, PW_AUDIT_DELIVERY);
    if (strncmp(how, "hears:closed:1:@", 16) != 0)
        fail_msg("%s", how);
    end_as(f, "hears", 3, PW_COMPLETED);
    how = found(f, PW_AUDIT_DELIVERY);
    if (strncmp(how, "hears:ended:1:@", 15) != 0)
        fail_msg("%s", how);
}

STORE_TEST(an_event_that_is_due_and_not_published_is_found)
{
    const pw_sink_wants shop = { .name = S("shop") };
    EXPECT_OK(pw_store_sinks(f->store, &shop, 1, &f->err), f->err);
    have_definition(f);
    pw_outbox_event events[2] = { { .id = S("i1-1-0"), .type = S("t"), .source = S("s"), .payload = S("{}") },
                                  { .id = S("i1-1-1"), .type = S("t"), .source = S("s"), .payload = S("{}") } };
    pw_transition t = transition(PW_SUSPENDED, PW_WAKE_NEVER, "{}");
    t.events = events;
    t.event_count = 2;
    step(f, "i1", 0, &t, 1000); /* the second is held back by the first */
    EXPECT_TEXT(found(f, PW_AUDIT_EVENT), "i1:late:1:shop@1000");
    EXPECT_TEXT(found_before(f, PW_AUDIT_EVENT, 1000), "");
}

STORE_TEST(an_incident_that_contradicts_its_instance_is_found)
{
    have_definition(f);
    pw_fault fault = { .task = S("/do/0/pay"), .visit = 3, .kind = S("activity-fault"), .error = S("{}"), .class_ = S("timeout"),
                       .attempt = 1, .decision = S("incident"), .action = S("look") };
    pw_transition t = transition(PW_FAULTED, PW_WAKE_NEVER, "{}");
    t.fault = &fault;
    step(f, "good", 0, &t, 1000);
    step(f, "given-up", 0, &t, 1000);
    step(f, "goes-on", 0, &t, 1000);
    pw_transition failed = transition(PW_FAULTED, PW_WAKE_NEVER, "{}");
    failed.resolution = S("failed");
    step(f, "given-up", 1, &failed, 2000);
    pw_transition on = transition(PW_RUNNING, 200000, "{}");
    step(f, "goes-on", 1, &on, 2000); /* and nobody has resolved it */
    end_as(f, "silent", 0, PW_FAULTED);
    EXPECT_TEXT(found(f, PW_AUDIT_INCIDENT), "goes-on:open:1:/do/0/pay@1000 silent:none:1:@2000");
}

STORE_TEST(only_the_partitions_that_are_asked_for_are_looked_at)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_audit_row *rows = NULL;
    size_t count = 99;
    uint32_t looked = 99;
    pw_str next = { "x", 1 };
    const uint64_t its = UINT64_C(1) << pw_store_partition(S("i1"));
    EXPECT_OK(pw_store_audit(f->store, PW_AUDIT_ASLEEP, ~its, 100000, (pw_str){ 0 }, 10, &rows, &count, &looked, &next, &f->arena,
                             &f->err),
              f->err);
    EXPECT(count == 0 && looked == 0 && next.len == 0);
    EXPECT_OK(pw_store_audit(f->store, PW_AUDIT_ASLEEP, its, 100000, (pw_str){ 0 }, 10, &rows, &count, &looked, &next, &f->arena,
                             &f->err),
              f->err);
    EXPECT(count == 1 && looked == 1 && next.len == 0);
}

STORE_TEST(a_page_of_findings_refuses_what_is_no_cursor_of_its_kind)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    static const char *const bad[] = { "x", "1,", "1,2,0,0,9,i1", "2,2,0,0,2,i1", "1,99,0,0,2,i1", "1,4,0,0,2,i1", "1,-1,0,0,2,i1" };
    pw_audit_row *rows = NULL;
    size_t count = 0;
    uint32_t looked = 0;
    pw_str next = { "", 0 };
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        EXPECT_INT(pw_store_audit(f->store, PW_AUDIT_ASLEEP, PW_ALL_PARTITIONS, 100000, S(bad[i]), 10, &rows, &count, &looked,
                                   &next, &f->arena, &f->err),
                    PAWL_INVALID);
        EXPECT(strstr(f->err.message, "is not the \"next\" of a page before") != NULL);
    }
    EXPECT_INT(pw_store_audit(f->store, PW_AUDIT_ASLEEP, PW_ALL_PARTITIONS, 100000, next, 0, &rows, &count, &looked, &next,
                               &f->arena, &f->err),
                PAWL_INVALID);
    EXPECT_TEXT(f->err.message, "a page has 1 to 1000 rows, not 0");
    EXPECT_INT(pw_store_audit(f->store, PW_AUDIT_KINDS, PW_ALL_PARTITIONS, 100000, next, 1, &rows, &count, &looked, &next,
                               &f->arena, &f->err),
                PAWL_INVALID);
    EXPECT_TEXT(f->err.message, "there is no kind 10 of findings");
}

TEST_MAIN()
