/* conformance_faults.c - what goes wrong, in every store: requests that are sent again, incidents
 * and what waits beside them, circuit breakers. */
#include <unistd.h>

#include "messages.h"

static pw_fault fault(const char *kind, const char *class_, const char *task)
{
    return (pw_fault){ .task = S(task),
                       .visit = 3,
                       .kind = S(kind),
                       .error = S("{\"status\":503}"),
                       .class_ = S(class_),
                       .attempt = 5,
                       .decision = S("incident"),
                       .action = S("check the service") };
}

static pw_transition faulted(pw_fault *f)
{
    pw_transition t = transition(PW_FAULTED, PW_WAKE_NEVER, "{\"at\":\"fault\"}");
    t.error = S("{\"status\":503}");
    t.fault = f;
    return t;
}

static pw_transition resolved(pw_status status, int64_t wake_at, const char *how)
{
    pw_transition t = transition(status, wake_at, "{\"at\":\"after\"}");
    t.resolution = S(how);
    return t;
}

/* A step of somebody. */
static void by(fixture *f, const char *actor, const char *id, uint64_t token,
               const pw_transition *t, int64_t now_ms)
{
    pw_commit_item item = item_of(id, token, t, now_ms);
    item.actor = S(actor);
    must_commit(f, &item);
}

/* ---- requests that are sent again */

static pw_call_intent call(uint64_t visit, uint32_t attempt)
{
    return (pw_call_intent){ .task = S("/do/0/pay"),
                             .visit = visit,
                             .attempt = attempt,
                             .kind = S("http"),
                             .endpoint = S("http://x/pay"),
                             .method = S("POST"),
                             .request = S("{\"uri\":\"http://x/pay?q\"}"),
                             .key = S("key-1"),
                             .timeout_ms = 30000 };
}

static void call_step(fixture *f, uint64_t token, pw_call_outcome *outcome, pw_call_intent *intent)
{
    pw_transition t = transition(PW_WAITING, 0, "{}");
    t.outcomes = outcome;
    t.outcome_count = outcome ? 1 : 0;
    t.calls = intent;
    t.call_count = intent ? 1 : 0;
    step(f, "i1", token, &t, 1000 * (int64_t)(token + 1));
}

static pw_call_row call_of(fixture *f, const char *key)
{
    pw_call_row row;
    EXPECT_OK(pw_store_call_get(f->store, S("i1"), S(key), &row, &f->arena, &f->err), f->err);
    return row;
}

STORE_TEST(a_next_attempt_keeps_the_request_and_is_counted)
{
    have_definition(f);
    static const pw_resilience of_program = { .at_once = 1 };
    pw_call_intent first = call(3, 1);
    first.resilience = &of_program;
    call_step(f, 0, NULL, &first);
    pw_call_outcome failed = { .visit = 3,
                               .key = S("key-1"),
                               .state = PW_CALL_FAILED,
                               .outcome = S("{\"status\":503}"),
                               .duration_ms = 45 };
    call_step(f, 1, &failed, NULL);
    EXPECT_INT(call_of(f, "key-1").state, PW_CALL_FAILED);
    pw_call_intent again = {
        .visit = 3, .attempt = 2, .key = S("key-1"), .timeout_ms = 5000, .again = true
    };
    call_step(f, 2, NULL, &again);
    restart(f);
    pw_call_row row = call_of(f, "key-1");
    EXPECT_INT(row.state, PW_CALL_PENDING);
    EXPECT_INT(row.attempts, 2);
    EXPECT_INT(row.intent.visit, 3);
    EXPECT_INT(row.intent.attempt, 2);
    EXPECT_INT(row.intent.timeout_ms, 5000);
    EXPECT_STR(row.intent.task, "/do/0/pay");
    EXPECT_STR(row.intent.kind, "http");
    EXPECT_STR(row.intent.endpoint, "http://x/pay");
    EXPECT_STR(row.intent.method, "POST");
    EXPECT_STR(row.intent.request, "{\"uri\":\"http://x/pay?q\"}");
    EXPECT_STR(row.intent.key, "key-1");
    EXPECT(!row.intent.again);
    EXPECT(row.intent.resilience == NULL);
    EXPECT_STR(row.outcome, "");
    EXPECT_INT(row.created_ms, 1000);
    EXPECT_INT(row.ended_ms, -1);
    EXPECT_INT(row.duration_ms, 0);
    failed.outcome = S("{\"status\":500}");
    again.attempt = 3;
    call_step(f, 3, &failed, &again); /* the failure and the next attempt in one step */
    row = call_of(f, "key-1");
    EXPECT_INT(row.state, PW_CALL_PENDING);
    EXPECT_INT(row.attempts, 3);
    EXPECT_STR(row.intent.request, "{\"uri\":\"http://x/pay?q\"}");
}

STORE_TEST(a_next_attempt_of_a_request_that_is_not_there_is_corrupt)
{
    have_definition(f);
    pw_call_intent first = call(3, 1);
    call_step(f, 0, NULL, &first);
    pw_call_intent again = { .visit = 3, .attempt = 2, .key = S("key-2"), .again = true };
    pw_transition t = transition(PW_WAITING, 0, "{}");
    t.calls = &again;
    t.call_count = 1;
    pw_commit_item item = item_of("i1", 1, &t, 2000);
    EXPECT_INT(commit_one(f, &item), PAWL_CORRUPT);
    EXPECT_TEXT(item.error.message,
                "instance 'i1': no call 'key-2' of visit 3: its state and its rows do not agree");
    EXPECT_INT(get(f, "i1").token, 1);
    again.key = S("key-1");
    again.request = S("{}"); /* two requests under one key */
    item = item_of("i1", 1, &t, 2000);
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    EXPECT_TEXT(item.error.message,
                "instance 'i1': the request of a next attempt is the one that is stored");
    EXPECT_INT(call_of(f, "key-1").attempts, 1);
}

STORE_TEST(a_call_is_found_by_its_key_whatever_became_of_it)
{
    have_definition(f);
    pw_call_intent first = call(3, 1);
    call_step(f, 0, NULL, &first);
    static const struct {
        pw_call_state state;
        const char *name;
    } states[] = { { PW_CALL_UNKNOWN, "unknown" },
                   { PW_CALL_TIMED_OUT, "timed-out" },
                   { PW_CALL_COMPLETED, "completed" } };
    for (uint64_t i = 0; i < PW_LENGTH(states); i++) {
        pw_call_outcome o = { .visit = 3, .key = S("key-1"), .state = states[i].state };
        call_step(f, i + 1, &o, NULL);
        EXPECT_TEXT(pw_call_state_name(call_of(f, "key-1").state), states[i].name);
    }
    pw_call_row row;
    EXPECT_INT(pw_store_call_get(f->store, S("i1"), S("key-2"), &row, &f->arena, &f->err),
               PAWL_NOT_FOUND);
    EXPECT_TEXT(f->err.message, "no call 'key-2'");
    EXPECT_INT(pw_store_call_get(f->store, S("i2"), S("key-1"), &row, &f->arena, &f->err),
               PAWL_NOT_FOUND);
}

/* ---- what waits beside an incident */

/* "open 2, subscribed 1, delivered 1": what i1 waits for. */
static const char *waits(fixture *f)
{
    static char text[96];
    pw_bookmark_row *bookmarks;
    pw_subscription_row *subscriptions;
    pw_delivery_row *deliveries;
    size_t open = 0, subscribed = 0, delivered = 0;
    EXPECT_OK(pw_store_bookmarks(f->store, S("i1"), true, &bookmarks, &open, &f->arena, &f->err),
              f->err);
    EXPECT_OK(pw_store_subscriptions(f->store, S("i1"), S(""), NULL, 9, &subscriptions, &subscribed,
                                     &f->arena, &f->err),
              f->err);
    EXPECT_OK(
        pw_store_deliveries(f->store, S("i1"), 0, 9, &deliveries, &delivered, &f->arena, &f->err),
        f->err);
    (void)snprintf(text, sizeof text, "open %zu, subscribed %zu, delivered %zu", open, subscribed,
                   delivered);
    return text;
}

static bool has_task(fixture *f)
{
    const pw_bookmark_filter filter = { .person = S("ann"), .limit = 9 };
    pw_open_bookmark *rows;
    size_t count = 0;
    pw_str next;
    EXPECT_OK(pw_store_open_bookmarks(f->store, &filter, &rows, &count, &next, &f->arena, &f->err),
              f->err);
    return count == 1;
}

/* i1 at token 3: it has a task for ann, listens in visit 1, where a message came; and has faulted,
 * with a branch that began to listen in the same step. */
static void have_incident(fixture *f)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    pw_bookmark task = { .kind = PW_BOOKMARK_USER,
                         .task = S("/"),
                         .visit = 2,
                         .key = S("t"),
                         .due_at = -1,
                         .assigned_to = S("ann") };
    pw_transition t = transition(PW_WAITING, 5000, "{}");
    t.bookmarks = &task;
    t.bookmark_count = 1;
    step(f, "i1", 1, &t, 1500);
    EXPECT_TEXT(route(f, receive(f, "m1"), "h1"), "delivered to 1");
    pw_fault what = fault("external-call-fault", "server-error", "/do/0/pay");
    pw_bookmark bookmark = listen_bookmark(4, "wait-4");
    pw_subscription s = subscription(4, 0, "h4");
    t = faulted(&what);
    t.bookmarks = &bookmark;
    t.subscriptions = &s;
    t.bookmark_count = t.subscription_count = 1;
    step(f, "i1", 2, &t, 2000);
}

STORE_TEST(a_fault_that_is_an_incident_ends_nothing_that_waits)
{
    have_incident(f);
    restart(f);
    EXPECT_TEXT(waits(f), "open 3, subscribed 2, delivered 1");
    EXPECT(has_task(f));
    pw_instance_row row = get(f, "i1");
    EXPECT_INT(row.status, PW_FAULTED);
    EXPECT_INT(row.ended_ms, 2000);
    EXPECT_INT(row.wake_at, PW_WAKE_NEVER);
    /* results that come are recorded: nothing of it ends by them either, whatever they say */
    pw_transition late = transition(PW_FAULTED, PW_WAKE_NEVER, "{\"late\":1}");
    step(f, "i1", 3, &late, 3000);
    late.error = S("{\"status\":504}");
    step(f, "i1", 4, &late, 3500);
    EXPECT_TEXT(waits(f), "open 3, subscribed 2, delivered 1");
    pw_bookmark_end end = { .visit = 2, .key = S("t"), .consumed = true, .by = S("ann") };
    late = transition(PW_FAULTED, PW_WAKE_NEVER, "{\"late\":2}");
    late.bookmark_ends = &end;
    late.bookmark_end_count = 1;
    step(f, "i1", 5, &late, 4000);
    EXPECT_TEXT(waits(f), "open 2, subscribed 2, delivered 1");
    EXPECT(!has_task(f));
    EXPECT_TEXT(route(f, receive(f, "m4"), "h4"), "delivered to 1");
    EXPECT_TEXT(waits(f), "open 2, subscribed 2, delivered 2");
}

STORE_TEST(what_is_retried_lives_and_goes_on_waiting)
{
    have_incident(f);
    pw_transition t = resolved(PW_RUNNING, 0, "retried");
    by(f, "kim", "i1", 3, &t, 7000);
    restart(f);
    pw_instance_row row = get(f, "i1");
    EXPECT_INT(row.status, PW_RUNNING);
    EXPECT_INT(row.ended_ms, -1);
    EXPECT_INT(row.wake_at, 0);
    EXPECT_STR(row.error, "");
    EXPECT_STR(row.output, "");
    EXPECT_TEXT(waits(f), "open 3, subscribed 2, delivered 1");
    pw_due *due;
    size_t count = 0;
    EXPECT_OK(pw_store_due(f->store, PW_ALL_PARTITIONS, 9000, -1, S(""), 9, &due, &count, &f->arena,
                           &f->err),
              f->err);
    EXPECT_INT(count, 1);
    /* the next end is an end */
    t = transition(PW_COMPLETED, PW_WAKE_NEVER, "{}");
    t.output = S("1");
    step(f, "i1", 4, &t, 8000);
    EXPECT_TEXT(waits(f), "open 0, subscribed 0, delivered 1");
    EXPECT_INT(get(f, "i1").ended_ms, 8000);
}

STORE_TEST(the_end_of_an_incident_that_is_given_up_ends_all_that_waits)
{
    static const struct {
        pw_status status;
        const char *error, *resolution;
        int64_t ended_ms;
    } cases[] = {
        { PW_FAULTED, "", "failed", 2000 }, /* it stays as faulted as it was */
        { PW_FAULTED, "{\"status\":500}", "failed", 7000 },
        { PW_CANCELLED, "", "cancelled", 7000 },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        if (i > 0) {
            fixture_done(f);
            if (f->on_disk)
                EXPECT_INT(unlink(f->uri + strlen("sqlite:")), 0);
            fixture_open(f, f->on_disk);
        }
        have_incident(f);
        pw_transition t = resolved(cases[i].status, PW_WAKE_NEVER, cases[i].resolution);
        t.error = S(cases[i].error);
        by(f, "kim", "i1", 3, &t, 7000);
        restart(f);
        EXPECT_TEXT(waits(f), "open 0, subscribed 0, delivered 1");
        EXPECT(!has_task(f));
        pw_instance_row row = get(f, "i1");
        EXPECT_INT(row.status, cases[i].status);
        EXPECT_INT(row.ended_ms, cases[i].ended_ms);
        if (i == 0)
            EXPECT_STR(row.error, "{\"status\":503}");
    }
}

STORE_TEST(a_fault_without_an_incident_ends_all_that_waits)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    pw_transition t = transition(PW_FAULTED, PW_WAKE_NEVER, "{}");
    t.error = S("{\"status\":500}");
    step(f, "i1", 1, &t, 2000);
    EXPECT_TEXT(waits(f), "open 0, subscribed 0, delivered 0");
}

STORE_TEST(an_old_incident_that_is_over_keeps_nothing_waiting)
{
    have_incident(f);
    pw_transition t = resolved(PW_RUNNING, 0, "retried");
    step(f, "i1", 3, &t, 7000);
    t = transition(PW_FAULTED, PW_WAKE_NEVER, "{}");
    t.error = S("{\"status\":500}");
    step(f, "i1", 4, &t, 8000);
    EXPECT_TEXT(waits(f), "open 0, subscribed 0, delivered 1");
}

STORE_TEST(a_retry_that_fails_at_once_is_the_next_incident_and_ends_nothing)
{
    have_incident(f);
    pw_fault next = fault("activity-fault", "argument", "/do/1/add");
    pw_transition t = faulted(&next);
    t.resolution = S("retried");
    by(f, "kim", "i1", 3, &t, 7000);
    EXPECT_TEXT(waits(f), "open 3, subscribed 2, delivered 1");
    pw_fault_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_faults(f->store, S("i1"), &rows, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 2);
    EXPECT(!rows[0].open);
    EXPECT_STR(rows[0].resolution, "retried");
    EXPECT(rows[1].open);
    EXPECT_STR(rows[1].fault.class_, "argument");
    EXPECT_INT(get(f, "i1").ended_ms, 7000);
}

STORE_TEST(an_incident_that_suspends_is_open_until_it_is_continued)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    pw_fault what = fault("activity-fault", "other", "/do/0/a");
    what.decision = S("suspend");
    pw_transition t = transition(PW_SUSPENDED, PW_WAKE_NEVER, "{}");
    t.fault = &what;
    step(f, "i1", 1, &t, 2000);
    EXPECT_TEXT(waits(f), "open 1, subscribed 1, delivered 0");
    t = resolved(PW_WAITING, 9000, "continued");
    step(f, "i1", 2, &t, 3000);
    EXPECT_TEXT(waits(f), "open 1, subscribed 1, delivered 0");
    EXPECT_INT(get(f, "i1").wake_at, 9000);
    pw_fault_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_faults(f->store, S("i1"), &rows, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 1);
    EXPECT(!rows[0].open);
    EXPECT_STR(rows[0].resolved_by, "system");
}

STORE_TEST(a_fault_that_is_over_as_soon_as_it_comes_up_was_never_open)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    pw_fault what = fault("activity-fault", "other", "/do/0/a");
    what.decision = S("compensate");
    what.resolution = S("compensating");
    pw_transition t = transition(PW_COMPENSATING, 0, "{}");
    t.fault = &what;
    by(f, "kim", "i1", 1, &t, 2000);
    restart(f);
    pw_fault_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_faults(f->store, S("i1"), &rows, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 1);
    EXPECT(!rows[0].open);
    EXPECT_STR(rows[0].fault.decision, "compensate");
    EXPECT_INT(rows[0].created_ms, 2000);
    EXPECT_INT(rows[0].resolved_ms, 2000);
    EXPECT_STR(rows[0].resolved_by, "system");
    EXPECT_STR(rows[0].resolution, "compensating");
    t = resolved(PW_RUNNING, 0, "retried");
    pw_commit_item item = item_of("i1", 2, &t, 3000);
    EXPECT_INT(commit_one(f, &item), PAWL_CORRUPT);
    /* it keeps nothing waiting, should it end at once */
    EXPECT_TEXT(waits(f), "open 1, subscribed 1, delivered 0");
    t = transition(PW_FAULTED, PW_WAKE_NEVER, "{}");
    t.error = S("{\"status\":500}");
    t.fault = &what;
    step(f, "i1", 2, &t, 4000);
    EXPECT_TEXT(waits(f), "open 0, subscribed 0, delivered 0");
}

/* ---- incidents */

STORE_TEST(a_resolution_closes_all_that_are_open_and_only_those)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    have_instance(f, "i2", 1000);
    pw_fault what = fault("activity-fault", "other", "/do/0/a");
    pw_transition t = transition(PW_SUSPENDED, PW_WAKE_NEVER, "{}");
    t.fault = &what;
    step(f, "i1", 1, &t, 2000);
    step(f, "i2", 1, &t, 2000);
    t.resolution = S("continued");
    by(f, "ann", "i1", 2, &t, 3000);
    t.resolution = S("");
    step(f, "i1", 3, &t, 4000);
    pw_transition r = resolved(PW_CANCELLED, PW_WAKE_NEVER, "cancelled");
    by(f, "kim", "i1", 4, &r, 5000);
    restart(f);
    pw_fault_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_faults(f->store, S("i1"), &rows, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 3);
    static const struct {
        uint64_t sequence;
        int64_t resolved_ms;
        const char *by, *resolution;
    } expected[] = { { 2, 3000, "ann", "continued" },
                     { 3, 5000, "kim", "cancelled" },
                     { 4, 5000, "kim", "cancelled" } };
    for (size_t i = 0; i < count; i++) {
        EXPECT_INT(rows[i].sequence, expected[i].sequence);
        EXPECT(!rows[i].open);
        EXPECT_INT(rows[i].resolved_ms, expected[i].resolved_ms);
        EXPECT_STR(rows[i].resolved_by, expected[i].by);
        EXPECT_STR(rows[i].resolution, expected[i].resolution);
    }
    EXPECT_OK(pw_store_faults(f->store, S("i2"), &rows, &count, &f->arena, &f->err), f->err);
    EXPECT(rows[0].open);
    EXPECT_INT(rows[0].resolved_ms, -1);
    EXPECT_STR(rows[0].resolution, "");
}

STORE_TEST(a_resolution_of_nothing_is_corrupt)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_transition t = resolved(PW_RUNNING, 0, "retried");
    pw_commit_item item = item_of("i1", 1, &t, 2000);
    EXPECT_INT(commit_one(f, &item), PAWL_CORRUPT);
    EXPECT_TEXT(item.error.message,
                "instance 'i1': no incident is open that could be retried: its state and its rows "
                "do not agree");
    EXPECT_INT(get(f, "i1").token, 1);
    char long_text[65];
    memset(long_text, 'x', sizeof long_text);
    t.resolution = (pw_str){ long_text, sizeof long_text };
    item = item_of("i1", 1, &t, 2000);
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
}

STORE_TEST(an_instance_with_an_open_incident_is_not_deleted)
{
    have_incident(f);
    EXPECT_INT(pw_store_instance_delete(f->store, S("i1"), 0, &f->err), PAWL_STATE);
    EXPECT_INT(f->err.reason, PAWL_REASON_OPEN_INCIDENT);
    EXPECT_TEXT(f->err.message, "instance 'i1' has an open incident: retry or fail it, or cancel "
                                "the instance, first");
    EXPECT_INT(get(f, "i1").token, 3);
    pw_transition t = resolved(PW_FAULTED, PW_WAKE_NEVER, "failed");
    step(f, "i1", 3, &t, 3000);
    EXPECT_OK(pw_store_instance_delete(f->store, S("i1"), 0, &f->err), f->err);
    pw_incident_row row;
    EXPECT_INT(pw_store_incident_get(f->store, S("i1"), 3, &row, &f->arena, &f->err),
               PAWL_NOT_FOUND);
}

STORE_TEST(an_incident_is_read_back_whole_by_its_step)
{
    have_incident(f);
    pw_incident_row row;
    EXPECT_OK(pw_store_incident_get(f->store, S("i1"), 3, &row, &f->arena, &f->err), f->err);
    EXPECT_STR(row.instance, "i1");
    EXPECT_STR(row.namespace_, "shop");
    EXPECT_STR(row.name, "order");
    EXPECT_STR(row.version, "1.0.0");
    EXPECT_INT(row.status, PW_FAULTED);
    EXPECT_INT(row.row.sequence, 3);
    EXPECT_STR(row.row.fault.task, "/do/0/pay");
    EXPECT_INT(row.row.fault.visit, 3);
    EXPECT_STR(row.row.fault.kind, "external-call-fault");
    EXPECT_STR(row.row.fault.error, "{\"status\":503}");
    EXPECT_STR(row.row.fault.class_, "server-error");
    EXPECT_INT(row.row.fault.attempt, 5);
    EXPECT_STR(row.row.fault.decision, "incident");
    EXPECT_STR(row.row.fault.action, "check the service");
    EXPECT(row.row.open);
    EXPECT_INT(row.row.created_ms, 2000);
    EXPECT_INT(row.row.resolved_ms, -1);
    EXPECT_STR(row.row.resolved_by, "");
    pw_transition t = resolved(PW_RUNNING, 0, "retried");
    by(f, "kim", "i1", 3, &t, 7000);
    restart(f);
    EXPECT_OK(pw_store_incident_get(f->store, S("i1"), 3, &row, &f->arena, &f->err), f->err);
    EXPECT(!row.row.open);
    EXPECT_INT(row.row.resolved_ms, 7000);
    EXPECT_STR(row.row.resolved_by, "kim");
    EXPECT_STR(row.row.resolution, "retried");
    EXPECT_INT(row.status, PW_RUNNING);
    EXPECT_INT(pw_store_incident_get(f->store, S("i1"), 2, &row, &f->arena, &f->err),
               PAWL_NOT_FOUND);
    EXPECT_TEXT(f->err.message, "no incident 'i1-2'");
    EXPECT_INT(pw_store_incident_get(f->store, S("i1"), UINT64_MAX, &row, &f->arena, &f->err),
               PAWL_NOT_FOUND);
}

/* Incidents of a, b ... in the order of time; c and e are one instance's, d is over. */
static void have_incidents(fixture *f)
{
    static const struct {
        const char *id, *namespace_, *name, *kind, *class_, *task;
        uint64_t token;
        int64_t now_ms;
    } all[] = {
        { "a", "shop", "order", "activity-fault", "timeout", "/do/0/a", 0, 1000 },
        { "b", "shop", "order", "external-call-fault", "timeout", "/do/0/a", 0, 2000 },
        { "c", "shop", "refund", "activity-fault", "argument", "/do/1/b", 0, 2000 },
        { "d", "bank", "order", "activity-fault", "other", "/do/0/a", 0, 3000 },
        { "c", "shop", "refund", "external-call-fault", "server-error", "/do/2/c", 1, 4000 },
    };
    bool created;
    EXPECT_OK(put_definition(f, "shop", "order", "1.0.0", "digest-1", &created), f->err);
    EXPECT_OK(put_definition(f, "shop", "refund", "1.0.0", "digest-2", &created), f->err);
    EXPECT_OK(put_definition(f, "bank", "order", "1.0.0", "digest-3", &created), f->err);
    for (size_t i = 0; i < PW_LENGTH(all); i++) {
        pw_instance_new n = order_new;
        n.namespace_ = S(all[i].namespace_);
        n.name = S(all[i].name);
        pw_fault what = fault(all[i].kind, all[i].class_, all[i].task);
        pw_transition t = faulted(&what);
        pw_commit_item item = item_of(all[i].id, all[i].token, &t, all[i].now_ms);
        if (all[i].token == 0)
            item.create = &n;
        must_commit(f, &item);
    }
    pw_transition t = resolved(PW_RUNNING, 0, "retried");
    by(f, "kim", "d", 1, &t, 9000);
}

/* "c-2 c-1 b-1" */
static const char *listed(fixture *f, pw_incident_filter filter)
{
    static char text[256];
    pw_incident_row *rows = NULL;
    size_t count = 0, at = 0;
    pw_str next = { "", 0 };
    filter.limit = filter.limit ? filter.limit : 10;
    text[0] = '\0';
    do {
        filter.after = next;
        EXPECT_OK(pw_store_incidents(f->store, &filter, &rows, &count, &next, &f->arena, &f->err),
                  f->err);
        EXPECT(count <= filter.limit);
        for (size_t i = 0; i < count; i++)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s-%llu", at ? " " : "",
                                   (int)rows[i].instance.len, rows[i].instance.ptr,
                                   (unsigned long long)rows[i].row.sequence);
    } while (next.len > 0);
    return text;
}

STORE_TEST(incidents_are_listed_newest_first_by_what_they_are_like)
{
    have_incidents(f);
    restart(f);
    const pw_str shops[] = { S("shop"), S("none") };
    const struct {
        pw_incident_filter filter;
        const char *open, *all;
    } cases[] = {
        { { .limit = 0 }, "c-2 c-1 b-1 a-1", "c-2 d-1 c-1 b-1 a-1" },
        { { .instance = S("c") }, "c-2 c-1", "c-2 c-1" },
        { { .instance = S("d") }, "", "d-1" },
        { { .name = S("order") }, "b-1 a-1", "d-1 b-1 a-1" },
        { { .namespace_ = S("shop") }, "c-2 c-1 b-1 a-1", "c-2 c-1 b-1 a-1" },
        { { .namespace_ = S("bank"), .name = S("order") }, "", "d-1" },
        { { .namespaces = shops, .namespace_count = 2 }, "c-2 c-1 b-1 a-1", "c-2 c-1 b-1 a-1" },
        { { .kind = S("activity-fault") }, "c-1 a-1", "d-1 c-1 a-1" },
        { { .class_ = S("timeout") }, "b-1 a-1", "b-1 a-1" },
        { { .task = S("/do/0/a") }, "b-1 a-1", "d-1 b-1 a-1" },
        { { .task = S("/do/0/a"), .kind = S("activity-fault"), .class_ = S("timeout") },
          "a-1",
          "a-1" },
        { { .instance = S("c"), .class_ = S("argument") }, "c-1", "c-1" },
        { { .name = S("refund"), .task = S("/do/0/a") }, "", "" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        for (uint32_t limit = 1; limit <= 10; limit += 3) {
            pw_incident_filter filter = cases[i].filter;
            filter.limit = limit;
            EXPECT_TEXT(listed(f, filter), cases[i].open);
            filter.resolved = true;
            EXPECT_TEXT(listed(f, filter), cases[i].all);
        }
}

static uint64_t counted(fixture *f, pw_incident_filter filter)
{
    uint64_t count = 99;
    EXPECT_OK(pw_store_incident_count(f->store, &filter, &count, &f->err), f->err);
    return count;
}

STORE_TEST(incidents_are_counted_as_they_are_listed)
{
    have_incidents(f);
    restart(f);
    const pw_str shops[] = { S("shop"), S("none") };
    const struct {
        pw_incident_filter filter;
        uint64_t open, all;
    } cases[] = {
        { { .limit = 0 }, 4, 5 },
        { { .limit = 1, .after = S("1-2000-1-b") }, 4, 5 }, /* neither is looked at */
        { { .instance = S("c") }, 2, 2 },
        { { .instance = S("d") }, 0, 1 },
        { { .name = S("order") }, 2, 3 },
        { { .namespace_ = S("bank") }, 0, 1 },
        { { .namespaces = shops, .namespace_count = 2 }, 4, 4 },
        { { .kind = S("activity-fault") }, 2, 3 },
        { { .class_ = S("timeout") }, 2, 2 },
        { { .task = S("/do/0/a") }, 2, 3 },
        { { .task = S("/do/0/a"), .kind = S("activity-fault") }, 1, 2 },
        { { .until_ms = 2000 }, 1, 1 },
        { { .until_ms = 2001, .name = S("order") }, 2, 2 },
        { { .until_ms = 4001 }, 4, 5 },
        { { .instance = S("none") }, 0, 0 },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pw_incident_filter filter = cases[i].filter;
        EXPECT_INT(counted(f, filter), cases[i].open);
        filter.resolved = true;
        EXPECT_INT(counted(f, filter), cases[i].all);
    }
}

/* An incident of an instance with labels, of a version. */
static void have_labelled(fixture *f, const char *id, const char *version, const char *labels,
                          int64_t now_ms)
{
    pw_instance_new n = order_new;
    n.version = S(version);
    n.labels = S(labels);
    pw_fault what = fault("activity-fault", "timeout", "/do/0/a");
    pw_transition t = faulted(&what);
    pw_commit_item item = item_of(id, 0, &t, now_ms);
    item.create = &n;
    must_commit(f, &item);
}

STORE_TEST(incidents_are_found_by_version_label_and_age)
{
    bool created;
    have_definition(f);
    EXPECT_OK(put_definition(f, "shop", "order", "2.0.0", "digest-2", &created), f->err);
    have_labelled(f, "a", "1.0.0", "", 1000);
    have_labelled(f, "b", "1.0.0", "{\"city\":\"Ulm\"}", 2000);
    have_labelled(f, "c", "2.0.0", "{\"city\":\"Ulm\",\"tier\":\"gold\"}", 3000);
    have_labelled(f, "d", "2.0.0", "{\"city\":\"Bonn\",\"tier\":\"gold\"}", 3000);
    restart(f);
    const pw_label labels[] = { { S("city"), S("Ulm") },
                                { S("tier"), S("gold") },
                                { S("city"), S("") } };
    const struct {
        pw_incident_filter filter;
        const char *listed;
        uint64_t count;
    } cases[] = {
        { { .version = S("1.0.0") }, "b-1 a-1", 2 },
        { { .version = S("2.0.0") }, "d-1 c-1", 2 },
        { { .version = S("3.0.0") }, "", 0 },
        { { .labels = labels, .label_count = 1 }, "c-1 b-1", 2 },
        { { .labels = labels, .label_count = 2 }, "c-1", 1 },
        { { .labels = labels + 1, .label_count = 1 }, "d-1 c-1", 2 },
        { { .labels = labels + 2, .label_count = 1 }, "", 0 },
        { { .labels = labels, .label_count = 1, .version = S("1.0.0") }, "b-1", 1 },
        { { .until_ms = 3000 }, "b-1 a-1", 2 },
        { { .until_ms = 3001 }, "d-1 c-1 b-1 a-1", 4 },
        { { .until_ms = 1000 }, "", 0 },
        { { .until_ms = 3000, .labels = labels, .label_count = 1 }, "b-1", 1 },
        { { .until_ms = 2500, .version = S("1.0.0"), .name = S("order"), .class_ = S("timeout") },
          "b-1 a-1",
          2 },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        for (uint32_t limit = 1; limit <= 4; limit++) {
            pw_incident_filter filter = cases[i].filter;
            filter.limit = limit;
            EXPECT_TEXT(listed(f, filter), cases[i].listed);
            EXPECT_INT(counted(f, filter), cases[i].count);
            filter.resolved = true;
            EXPECT_TEXT(listed(f, filter), cases[i].listed);
            EXPECT_INT(counted(f, filter), cases[i].count);
        }
}

STORE_TEST(a_label_that_no_instance_can_have_is_refused)
{
    const pw_label bad[] = { { S(""), S("x") }, { { "\xff", 1 }, S("x") }, { S("x"), { "\xff", 1 } } };
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        const pw_incident_filter filter = { .labels = &bad[i], .label_count = 1, .limit = 5 };
        pw_incident_row *rows = NULL;
        size_t count = 0;
        uint64_t all = 7;
        pw_str next;
        EXPECT_INT(pw_store_incidents(f->store, &filter, &rows, &count, &next, &f->arena, &f->err),
                   PAWL_INVALID);
        EXPECT_INT(pw_store_incident_count(f->store, &filter, &all, &f->err), PAWL_INVALID);
        EXPECT_CONTAINS(f->err.message, "a label's name must have 1 to 256 bytes of UTF-8");
        EXPECT_INT(all, 7);
    }
}

STORE_TEST(a_list_of_incidents_refuses_what_is_no_cursor)
{
    have_incidents(f);
    static const char *const cursors[] = {
        "x",      "1-",      "1-5",    "1-5-",     "1-5-2",
        "1-5-2-", "2-5-2-a", "1--2-a", "1-5--2-a", "1-12345678901234567890-2-a"
    };
    pw_incident_row *rows = NULL;
    size_t count = 0;
    pw_str next;
    for (size_t i = 0; i < PW_LENGTH(cursors); i++) {
        const pw_incident_filter filter = { .after = S(cursors[i]), .limit = 5 };
        EXPECT_INT(pw_store_incidents(f->store, &filter, &rows, &count, &next, &f->arena, &f->err),
                   PAWL_INVALID);
        EXPECT_CONTAINS(f->err.message, "is not the \"next\" of a page before");
    }
    for (uint32_t limit = 0; limit <= PW_PAGE_MAX + 1; limit += PW_PAGE_MAX + 1) {
        const pw_incident_filter filter = { .limit = limit };
        EXPECT_INT(pw_store_incidents(f->store, &filter, &rows, &count, &next, &f->arena, &f->err),
                   PAWL_INVALID);
    }
    const pw_str bad = { "\xff", 1 };
    const pw_incident_filter filter = { .namespaces = &bad, .namespace_count = 1, .limit = 5 };
    EXPECT_INT(pw_store_incidents(f->store, &filter, &rows, &count, &next, &f->arena, &f->err),
               PAWL_INVALID);
}

/* ---- breakers */

static pw_breaker_record opened(const char *service, uint64_t epoch)
{
    return (pw_breaker_record){ .service = S(service),
                                .state = PW_BREAKER_OPEN,
                                .epoch = epoch,
                                .open_until_ms = 61000,
                                .probe_until_ms = -1,
                                .changed_by = S("system"),
                                .reason = S("5 of 10 calls failed"),
                                .changed_ms = 1000 };
}

static bool set(fixture *f, pw_breaker_record record, pw_breaker_record *out)
{
    bool won = false;
    EXPECT_OK(pw_store_breaker_set(f->store, &record, &won, out, &f->arena, &f->err), f->err);
    return won;
}

static pw_breaker_record *breakers(fixture *f, size_t expected)
{
    pw_breaker_record *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_breakers(f->store, &rows, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, expected);
    return rows;
}

STORE_TEST(a_breaker_is_set_by_who_has_read_it)
{
    pw_breaker_record out;
    (void)breakers(f, 0);
    EXPECT(set(f, opened("http://x:80", 0), &out));
    EXPECT_INT(out.epoch, 1);
    EXPECT(!set(f, opened("http://x:80", 0), &out)); /* somebody was first */
    EXPECT_INT(out.epoch, 1);
    EXPECT_INT(out.state, PW_BREAKER_OPEN);
    EXPECT_STR(out.reason, "5 of 10 calls failed");
    pw_breaker_record probe = { .service = S("http://x:80"),
                                .state = PW_BREAKER_HALF_OPEN,
                                .epoch = 1,
                                .open_until_ms = 61000,
                                .probe_by = S("node-1"),
                                .probe_until_ms = 99000,
                                .changed_ms = 61000 };
    EXPECT(set(f, probe, &out));
    EXPECT_INT(out.epoch, 2);
    probe.probe_by = S("node-2");
    EXPECT(!set(f, probe, &out)); /* one probe */
    EXPECT_STR(out.probe_by, "node-1");
    EXPECT_INT(out.epoch, 2);
    EXPECT(set(f, opened("api", 0), &out));
    restart(f);
    const pw_breaker_record *rows = breakers(f, 2);
    EXPECT_STR(rows[0].service, "api");
    EXPECT_INT(rows[0].state, PW_BREAKER_OPEN);
    EXPECT_INT(rows[0].open_until_ms, 61000);
    EXPECT_INT(rows[0].probe_until_ms, -1);
    EXPECT_STR(rows[0].probe_by, "");
    EXPECT_INT(rows[0].forced, PW_BREAKER_AUTO);
    EXPECT_STR(rows[0].changed_by, "system");
    EXPECT_INT(rows[0].changed_ms, 1000);
    EXPECT_STR(rows[1].service, "http://x:80");
    EXPECT_INT(rows[1].state, PW_BREAKER_HALF_OPEN);
    EXPECT_INT(rows[1].open_until_ms, -1); /* it is not open any more */
    EXPECT_INT(rows[1].probe_until_ms, 99000);
    EXPECT_STR(rows[1].changed_by, "system");
    EXPECT_STR(rows[1].reason, "");
}

STORE_TEST(a_breaker_that_is_not_there_is_changed_by_nobody)
{
    pw_breaker_record out;
    EXPECT(!set(f, opened("api", 4), &out));
    EXPECT_STR(out.service, "api");
    EXPECT_INT(out.epoch, 0);
    EXPECT_INT(out.state, PW_BREAKER_CLOSED);
    EXPECT_INT(out.open_until_ms, -1);
    (void)breakers(f, 0);
}

STORE_TEST(a_breaker_may_be_forced_and_let_go)
{
    static const pw_breaker_force forces[] = { PW_BREAKER_FORCED_OPEN, PW_BREAKER_FORCED_CLOSED,
                                               PW_BREAKER_AUTO };
    pw_breaker_record out = { .epoch = 0 };
    for (uint64_t i = 0; i < PW_LENGTH(forces); i++) {
        pw_breaker_record b = { .service = S("api"),
                                .state = PW_BREAKER_CLOSED,
                                .epoch = i,
                                .forced = forces[i],
                                .changed_by = S("kim"),
                                .reason = S("maintenance"),
                                .open_until_ms = -1,
                                .probe_until_ms = -1,
                                .changed_ms = 5000 };
        EXPECT(set(f, b, &out));
        EXPECT_INT(out.forced, forces[i]);
        EXPECT_INT(breakers(f, 1)[0].forced, forces[i]);
        EXPECT_STR(breakers(f, 1)[0].changed_by, "kim");
        EXPECT_INT(breakers(f, 1)[0].epoch, i + 1);
    }
}

STORE_TEST(a_breaker_that_cannot_be_is_refused)
{
    char long_text[5000];
    memset(long_text, 'x', sizeof long_text);
    pw_breaker_record good = opened("api", 0), bad[8], out;
    for (size_t i = 0; i < PW_LENGTH(bad); i++)
        bad[i] = good;
    bad[0].service = S("");
    bad[1].service = (pw_str){ long_text, 1025 };
    bad[2].service = (pw_str){ "a\0", 2 };
    bad[3].changed_by = (pw_str){ long_text, 513 };
    bad[4].reason = (pw_str){ long_text, 4097 };
    bad[5].state = PW_BREAKER_HALF_OPEN; /* without who probes */
    bad[6].epoch = UINT64_MAX;
    bad[7].state = (pw_breaker_state)3;
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        bool won = false;
        EXPECT_INT(pw_store_breaker_set(f->store, &bad[i], &won, &out, &f->arena, &f->err),
                   PAWL_INVALID);
        EXPECT(!won);
    }
    (void)breakers(f, 0);
    good.service.ptr = long_text;
    good.service.len = 1024;
    good.reason = (pw_str){ long_text, 4096 };
    EXPECT(set(f, good, &out));
}

TEST_MAIN()
