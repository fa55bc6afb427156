/* A schedule: when it starts what, what becomes of times that were missed, and what happens while
 * the one before still runs. Stored and read back between all steps. */
#include <unistd.h>
#include "fixture.h"
#include "base/moment.h"

#define MINUTE 60000ll
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* T0 is 2026-09-21T14:13:20Z, a Monday. `ours`: metadata.pawl.schedule. */
static void open_schedule(fixture *f, const char *schedule, const char *ours)
{
    static char text[1000];
    (void)snprintf(
        text, sizeof text,
        "document: { dsl: 1.0.3, namespace: shop, name: daily, version: 1.0.0, metadata: { pawl: { "
        "schedule: { %s } } } }\nschedule: { %s }\noutput: { as: '{ never: . }' }\ninput: { from: "
        ".x.y }\n"
        "timeout: { after: PT1S }\ndo: [ { a: { set: { b: 1 } } } ]\n",
        ours, schedule);
    fixture_open(f, text);
}

static pw_value json(fixture *f, const char *text)
{
    pw_value v;
    pawl_error err;
    EXPECT_OK(pw_json_parse(&v, pw_str_of(text), NULL, &f->arena, &err), err);
    return v;
}

static void begin(fixture *f, const char *input)
{
    pw_event event = { .kind = PW_EVENT_START, .now_ms = f->now_ms, .schedule = true };
    event.payload = json(f, input);
    fixture_event(f, &event);
    EXPECT_INT(f->t.event_count, 0); /* nothing is told to the outside */
}

static void timer(fixture *f, int64_t at)
{
    fixture_reload(f);
    fixture_timer(f, at);
}

static void child_ended(fixture *f, const char *child, int64_t at, const char *error)
{
    fixture_reload(f);
    f->now_ms = at;
    pw_event event = { .kind = PW_EVENT_CHILD_ENDED, .now_ms = at, .visit = 1 };
    event.key = pw_str_of(child);
    event.payload = pw_null();
    if (error)
        event.error = json(f, error);
    fixture_event(f, &event);
}

static const char *payload(fixture *f, size_t at, const char *member)
{
    EXPECT(at < f->t.message_count);
    return fixture_member(f, fixture_text(f, f->t.messages[at].payload), member);
}

static const char *started(fixture *f) /* the only one */
{
    EXPECT_INT(f->t.message_count, 1);
    EXPECT_STR(f->t.messages[0].kind, "start");
    EXPECT_STR(f->t.messages[0].dedupe_key, "start");
    EXPECT_INT(f->t.messages[0].target.len, 26);
    return fixture_text(f, f->t.messages[0].target);
}

static const char *moment(fixture *f, int64_t ms)
{
    return fixture_text(f, pw_moment_text(&f->arena, ms));
}

static const char *skipped(fixture *f) /* "count, reason" of the first entry of this type */
{
    pw_value entries = json(f, fixture_text(f, f->t.entries));
    for (uint32_t i = 0; i < entries.count; i++) {
        pw_value entry = pw_item(entries, i);
        int64_t count;
        if (!pw_str_is(pw_get_text(entry, "type"), "schedule.skipped"))
            continue;
        EXPECT(pw_integer(pw_get_lit(entry, "count"), &count));
        return fixture_text(f, pw_arena_printf(&f->arena, "%lld%s, " PW_FMT, (long long)count,
                                               pw_truthy(pw_get_lit(entry, "more")) ? "+" : "",
                                               PW_ARG(pw_get_text(entry, "reason"))));
    }
    return "nothing";
}

TEST(schedule, begins_with_a_wait_and_starts_nothing_at_once)
{
    fixture f;
    open_schedule(&f, "every: PT1H", "");
    begin(&f, "null");
    EXPECT_STATUS(f, "waiting");
    EXPECT_TEXT(fixture_entries(&f), "instance.started; task.started /schedule");
    EXPECT_INT(f.t.message_count, 0);
    EXPECT_INT(f.t.wake_at, T0 + HOUR);
    EXPECT_INT(f.t.bookmark_count, 1);
    EXPECT_INT(f.t.bookmarks[0].kind, PW_BOOKMARK_TIMER);
    EXPECT_STR(f.t.bookmarks[0].key, "timer");
    EXPECT_INT(f.t.bookmarks[0].due_at, T0 + HOUR);
    fixture_close(&f);
}

TEST(schedule, a_time_that_has_come_starts_an_instance_and_waits_for_the_next)
{
    fixture f;
    open_schedule(&f, "every: PT1H", "");
    begin(&f, "null");
    uint64_t visit = f.t.bookmarks[0].visit;
    timer(&f, T0 + HOUR + 17); /* late */
    const char *id = started(&f);
    EXPECT_TEXT(fixture_text(&f, f.t.messages[0].payload),
                "{\"namespace\":\"shop\",\"name\":\"daily\",\"version\":\"1.0.0\",\"parent\":"
                "\"i1\",\"input\":null}");
    EXPECT_TEXT(fixture_entries(&f), "schedule.fired /schedule");
    EXPECT_STR(pw_get_text(fixture_entry(&f, 0), "instance"), id);
    EXPECT_STR(pw_get_text(fixture_entry(&f, 0), "dueAt"), "2026-09-21T15:13:20.000Z");
    EXPECT_INT(f.t.bookmark_end_count, 1);
    EXPECT_INT(f.t.bookmark_ends[0].visit, visit);
    EXPECT(f.t.bookmark_ends[0].consumed);
    EXPECT_INT(f.t.bookmark_count, 1);
    EXPECT(f.t.bookmarks[0].visit != visit); /* every wait is one of its own */
    EXPECT_INT(f.t.wake_at, T0 + 2 * HOUR);
    EXPECT_INT(f.t.event_count, 0);
    timer(&f, T0 + 2 * HOUR + 5000);
    EXPECT(strcmp(started(&f), id) != 0);
    EXPECT_INT(f.t.wake_at, T0 + 3 * HOUR); /* nothing drifts */
    fixture_close(&f);
}

TEST(schedule, the_same_time_starts_the_same_instance_however_often_it_is_decided)
{
    fixture f, again;
    open_schedule(&f, "every: PT1H", "");
    open_schedule(&again, "every: PT1H", "");
    begin(&f, "null");
    begin(&again, "null");
    timer(&f, T0 + HOUR);
    timer(&again, T0 + HOUR + 999);
    EXPECT_TEXT(started(&f), started(&again));
    fixture_close(&f);
    fixture_close(&again);
}

TEST(schedule, a_month_is_a_month_of_the_calendar)
{
    static const char *const due[] = { "2026-10-21T14:13:20.000Z", "2026-11-21T14:13:20.000Z",
                                       "2026-12-21T14:13:20.000Z", "2027-01-21T14:13:20.000Z",
                                       "2027-02-21T14:13:20.000Z" };
    fixture f;
    open_schedule(&f, "every: P1M", "");
    begin(&f, "null");
    for (size_t i = 0; i < PW_LENGTH(due); i++) {
        EXPECT_TEXT(moment(&f, f.t.wake_at), due[i]);
        timer(&f, f.t.wake_at);
        (void)started(&f);
    }
    fixture_close(&f);
}

TEST(schedule, a_period_that_never_ends_comes_never)
{
    fixture f;
    open_schedule(&f, "every: P9999Y", "");
    begin(&f, "null");
    EXPECT_STATUS(f, "waiting");
    EXPECT(f.t.wake_at > T0 + 9000 * 365 * DAY);
    fixture_close(&f);
    open_schedule(&f, "after: P99999999D", "");
    begin(&f, "null");
    EXPECT(f.t.wake_at > T0 + 9000 * 365 * DAY);
    fixture_reload(&f);
    fixture_close(&f);
}

/* Lets the clock run to `end`, each time as it comes; goes on with the successor where one ends. */
typedef struct run {
    unsigned fired, instances;
} run;

static void step_to(fixture *f, run *r, int64_t end)
{
    r->instances++;
    while (f->t.wake_at <= end) {
        timer(f, f->t.wake_at);
        for (size_t i = 0; i < f->t.message_count; i++)
            r->fired += strcmp(payload(f, i, "schedule"), "true") != 0;
        if (strcmp(pw_status_name(f->t.status), "completed") != 0)
            continue;
        pw_str next = f->t.messages[f->t.message_count - 1].target;
        pw_str text = f->t.messages[f->t.message_count - 1].payload;
        EXPECT_TEXT(payload(f, f->t.message_count - 1, "schedule"), "true");
        pw_str id = pw_schedule_id(&f->arena, PW_LIT("shop"), PW_LIT("daily"), PW_LIT("1.0.0"),
                                   f->identity.instance);
        EXPECT(pw_str_eq(next, id));
        pw_value input = pw_get_lit(json(f, fixture_text(f, text)), "input");
        f->identity.instance = next;
        f->state = NULL;
        f->steps = 0;
        begin(f, fixture_text(f, pw_json_text(&f->arena, input, PW_JSON_COMPACT)));
        r->instances++;
    }
}

TEST(schedule, a_year_of_hours_is_8760_starts_by_nine_instances)
{
    fixture f;
    run r = { 0 };
    open_schedule(&f, "cron: '0 * * * *'", "");
    begin(&f, "null");
    step_to(&f, &r, T0 + 365 * DAY);
    EXPECT_INT(r.fired, 8760);
    EXPECT_INT(r.instances, 9);
    fixture_close(&f);
}

TEST(schedule, every_goes_on_in_its_successors_without_drift)
{
    fixture f;
    run r = { 0 };
    open_schedule(&f, "every: PT7M", "");
    begin(&f, "null");
    step_to(&f, &r, T0 + 30 * DAY);
    EXPECT_INT(r.fired, 6171); /* 43,200 minutes */
    EXPECT_INT(r.instances, 7);
    EXPECT_INT(f.t.wake_at, T0 + 6172 * 7 * MINUTE);
    fixture_close(&f);
}

TEST(schedule, a_time_of_cron_is_one_of_its_time_zone_in_nights_when_clocks_change)
{
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0)
        pw_test_skip("tzdata is not installed");
    static const char *const due[] = { "2026-10-24T00:30:00.000Z", "2026-10-25T00:30:00.000Z",
                                       "2026-10-26T01:30:00.000Z", "2027-03-27T01:30:00.000Z",
                                       "2027-03-28T01:00:00.000Z", "2027-03-29T00:30:00.000Z" };
    fixture f;
    pawl_error err;
    open_schedule(&f, "cron: '30 2 * * *'", "timeZone: Europe/Berlin");
    EXPECT_OK(pw_moment_parse(&f.now_ms, PW_LIT("2026-10-23T12:00:00Z"), &err), err);
    begin(&f, "null");
    size_t seen = 0;
    unsigned fired = 0;
    while (seen < PW_LENGTH(due)) {
        const char *at = moment(&f, f.t.wake_at);
        seen += strcmp(at, due[seen]) == 0;
        timer(&f, f.t.wake_at);
        (void)started(&f);
        fired++;
    }
    EXPECT_INT(fired, 157); /* one a day: 8 of October, 30, 31, 31, 28, and 29 of March */
    fixture_close(&f);
}

/* ------------------------------------------------------------------ missed */

TEST(schedule, of_the_times_that_were_missed_one_is_made_up_for)
{
    fixture f;
    open_schedule(&f, "every: PT1H", "");
    begin(&f, "null");
    timer(&f, T0 + 5 * HOUR + 30 * MINUTE);
    (void)started(&f);
    EXPECT_TEXT(fixture_entries(&f), "schedule.skipped /schedule; schedule.fired /schedule");
    EXPECT_TEXT(skipped(&f), "4, missed");
    EXPECT_STR(pw_get_text(fixture_entry(&f, 1), "dueAt"), "2026-09-21T19:13:20.000Z");
    EXPECT_INT(f.t.wake_at, T0 + 6 * HOUR);
    fixture_close(&f);
}

TEST(schedule, all_that_were_missed_are_made_up_for_if_it_says_so)
{
    fixture f;
    open_schedule(&f, "cron: '0 * * * *'", "catchUp: all");
    begin(&f, "null");
    timer(&f, T0 + 5 * HOUR);
    EXPECT_INT(f.t.message_count, 5);
    EXPECT_TEXT(skipped(&f), "nothing");
    for (size_t i = 0; i < 5; i++)
        EXPECT_TEXT(payload(&f, i, "parent"), "i1");
    EXPECT_STR(pw_get_text(fixture_entry(&f, 0), "dueAt"), "2026-09-21T15:00:00.000Z");
    EXPECT_STR(pw_get_text(fixture_entry(&f, 4), "dueAt"), "2026-09-21T19:00:00.000Z");
    EXPECT_TEXT(moment(&f, f.t.wake_at), "2026-09-21T20:00:00.000Z");
    fixture_close(&f);
}

TEST(schedule, not_more_than_a_hundred_are_made_up_for)
{
    fixture f;
    open_schedule(&f, "cron: '*/10 * * * *'", "catchUp: all");
    begin(&f, "null");
    timer(&f, T0 + 2 * DAY);
    EXPECT_INT(f.t.message_count, 100);
    EXPECT_TEXT(skipped(&f), "188, missed");
    EXPECT_STR(pw_get_text(fixture_entry(&f, 100), "dueAt"), "2026-09-23T14:10:00.000Z");
    fixture_close(&f);
    open_schedule(&f, "every: PT0.001S", "catchUp: all");
    begin(&f, "null");
    timer(&f, T0 + DAY);
    EXPECT_INT(f.t.message_count, 100);
    EXPECT_TEXT(skipped(&f), "86399900, missed");
    EXPECT_INT(f.t.wake_at, T0 + DAY + 1);
    fixture_close(&f);
}

TEST(schedule, a_count_of_what_was_missed_for_years_has_an_end)
{
    fixture f;
    open_schedule(&f, "cron: '* * * * *'", "");
    begin(&f, "null");
    timer(&f, T0 + 3650 * DAY);
    (void)started(&f);
    EXPECT_TEXT(skipped(&f), "44639+, missed"); /* of 31 days */
    fixture_close(&f);
    open_schedule(&f, "cron: '0 0 29 2 *'", ""); /* none in 31 days */
    begin(&f, "null");
    timer(&f, T0 + 3650 * DAY);
    (void)started(&f);
    EXPECT_TEXT(skipped(&f), "2, missed");
    EXPECT_TEXT(moment(&f, f.t.wake_at), "2040-02-29T00:00:00.000Z");
    fixture_close(&f);
}

TEST(schedule, what_was_missed_is_left_out_if_it_says_so_but_a_minute_is_not_missed)
{
    fixture f;
    open_schedule(&f, "every: PT1H", "catchUp: none");
    begin(&f, "null");
    timer(&f, T0 + 3 * HOUR + MINUTE + 1);
    EXPECT_INT(f.t.message_count, 0);
    EXPECT_TEXT(skipped(&f), "3, missed");
    EXPECT_INT(f.t.wake_at, T0 + 4 * HOUR);
    timer(&f, T0 + 6 * HOUR + MINUTE);
    (void)started(&f);
    EXPECT_TEXT(skipped(&f), "2, missed");
    EXPECT_INT(f.t.wake_at, T0 + 7 * HOUR);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ overlap */

TEST(schedule, allow_does_not_care_whether_the_one_before_runs)
{
    fixture f;
    open_schedule(&f, "every: PT1H", "overlap: allow");
    begin(&f, "null");
    timer(&f, T0 + HOUR);
    EXPECT_TEXT(payload(&f, 0, "visit"), "(absent)"); /* its end is not asked for */
    EXPECT_INT(f.t.wake_at, T0 + 2 * HOUR);
    fixture_close(&f);
}

TEST(schedule, skip_leaves_out_what_comes_while_the_one_before_runs)
{
    fixture f;
    open_schedule(&f, "every: PT1H", "overlap: skip");
    begin(&f, "null");
    timer(&f, T0 + HOUR);
    const char *child = started(&f);
    EXPECT_TEXT(payload(&f, 0, "visit"), "2");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    EXPECT_INT(f.t.bookmarks[0].kind, PW_BOOKMARK_CHILD);
    EXPECT_STR(f.t.bookmarks[0].key, child);
    child_ended(&f, child, T0 + 3 * HOUR + MINUTE, NULL);
    EXPECT_TEXT(fixture_entries(&f), "schedule.child-ended /schedule; schedule.skipped /schedule");
    EXPECT_TEXT(skipped(&f), "2, the one before still ran");
    EXPECT_INT(f.t.message_count, 0);
    EXPECT_INT(f.t.bookmark_end_count, 1);
    EXPECT_STR(f.t.bookmark_ends[0].key, child);
    EXPECT_INT(f.t.wake_at, T0 + 4 * HOUR);
    timer(&f, T0 + 4 * HOUR);
    child = started(&f);
    child_ended(&f, child, T0 + 4 * HOUR + MINUTE, NULL);
    EXPECT_TEXT(fixture_entries(&f), "schedule.child-ended /schedule");
    EXPECT_INT(f.t.wake_at, T0 + 5 * HOUR);
    fixture_close(&f);
}

TEST(schedule, wait_starts_one_when_the_one_before_has_ended)
{
    fixture f;
    open_schedule(&f, "every: PT1H", "overlap: wait");
    begin(&f, "null");
    timer(&f, T0 + HOUR);
    const char *child = started(&f);
    child_ended(&f, child, T0 + 3 * HOUR + 50 * MINUTE, "{\"type\":\"x\",\"status\":500}");
    EXPECT_TEXT(fixture_entries(&f), "schedule.child-ended /schedule; schedule.skipped /schedule; "
                                     "schedule.fired /schedule");
    EXPECT_TEXT(skipped(&f), "1, missed");
    EXPECT_STR(pw_get_text(fixture_entry(&f, 2), "dueAt"), "2026-09-21T17:13:20.000Z");
    child = started(&f);
    EXPECT_INT(f.t.bookmarks[0].kind, PW_BOOKMARK_CHILD);
    child_ended(&f, child, T0 + 3 * HOUR + 55 * MINUTE, NULL);
    EXPECT_INT(f.t.message_count, 0);
    EXPECT_INT(f.t.wake_at, T0 + 4 * HOUR);
    fixture_close(&f);
}

TEST(schedule, wait_and_all_is_a_queue)
{
    static const char *const due[] = { "2026-09-21T15:13:20.000Z", "2026-09-21T16:13:20.000Z",
                                       "2026-09-21T17:13:20.000Z", "2026-09-21T18:13:20.000Z" };
    fixture f;
    open_schedule(&f, "every: PT1H", "overlap: wait, catchUp: all");
    begin(&f, "null");
    timer(&f, T0 + 3 * HOUR + 30 * MINUTE);
    for (size_t i = 0; i < PW_LENGTH(due); i++) {
        size_t at = i ? 1 : 0; /* behind child-ended */
        EXPECT_STR(pw_get_text(fixture_entry(&f, at), "type"), "schedule.fired");
        EXPECT_STR(pw_get_text(fixture_entry(&f, at), "dueAt"), due[i]);
        EXPECT_TEXT(skipped(&f), "nothing");
        child_ended(&f, started(&f), T0 + 3 * HOUR + (40 + 10 * (int64_t)i) * MINUTE, NULL);
    }
    EXPECT_INT(f.t.message_count, 0);
    EXPECT_INT(f.t.wake_at, T0 + 5 * HOUR);
    fixture_close(&f);
}

TEST(schedule, after_counts_from_the_end_whatever_it_was)
{
    fixture f;
    open_schedule(&f, "after: PT10M", "");
    begin(&f, "null");
    EXPECT_INT(f.t.wake_at, T0 + 10 * MINUTE);
    timer(&f, T0 + 11 * MINUTE);
    const char *child = started(&f);
    EXPECT_TEXT(payload(&f, 0, "visit"), "2");
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    child_ended(&f, child, T0 + 75 * MINUTE, "{\"type\":\"x\",\"status\":500}");
    EXPECT_TEXT(fixture_entries(&f), "schedule.child-ended /schedule");
    EXPECT_TEXT(fixture_member(
                    &f,
                    fixture_text(&f, pw_json_text(&f.arena, fixture_entry(&f, 0), PW_JSON_COMPACT)),
                    "error"),
                "{\"type\":\"x\",\"status\":500}");
    EXPECT_STATUS(f, "waiting");
    EXPECT_INT(f.t.wake_at, T0 + 85 * MINUTE);
    timer(&f, T0 + 85 * MINUTE);
    (void)started(&f);
    fixture_close(&f);
}

TEST(schedule, the_end_of_something_else_changes_nothing)
{
    fixture f;
    open_schedule(&f, "after: PT10M", "");
    begin(&f, "null");
    timer(&f, T0 + 10 * MINUTE);
    const char *child = started(&f);
    child_ended(&f, "0123456789abcdefghjkmnpqrs", T0 + 11 * MINUTE, NULL);
    EXPECT_TEXT(fixture_entries(&f), "child.late");
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    child_ended(&f, child, T0 + 12 * MINUTE, NULL);
    EXPECT_INT(f.t.wake_at, T0 + 22 * MINUTE);
    child_ended(&f, child, T0 + 13 * MINUTE, NULL); /* told again */
    EXPECT_TEXT(fixture_entries(&f), "child.late");
    EXPECT_INT(f.t.wake_at, T0 + 22 * MINUTE);
    fixture_close(&f);
}

TEST(schedule, after_hands_over_when_nothing_of_it_runs)
{
    fixture f;
    open_schedule(&f, "after: PT1S", "");
    begin(&f, "null");
    for (unsigned i = 0; i < 1000; i++) {
        EXPECT_STATUS(f, "waiting");
        timer(&f, f.t.wake_at);
        child_ended(&f, started(&f), f.now_ms + 1000, NULL);
    }
    EXPECT_STATUS(f, "completed");
    EXPECT_TEXT(fixture_entries(&f),
                "schedule.child-ended /schedule; schedule.handed-over /schedule; "
                "task.completed /schedule; instance.completed");
    EXPECT_TEXT(payload(&f, 0, "schedule"), "true");
    EXPECT_TEXT(
        payload(&f, 0, "input"),
        "{\"anchor\":1790000000000,\"last\":1790002000000,\"fired\":1000,\"at\":1790001999000}");
    EXPECT_INT(f.t.event_count, 0);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ messages */

static uint64_t listening(const fixture *f) /* the visit that this step has opened */
{
    EXPECT_INT(f->t.bookmark_count, 1);
    EXPECT_INT(f->t.bookmarks[0].kind, PW_BOOKMARK_MESSAGE);
    EXPECT(f->t.subscription_count >= 1);
    for (size_t i = 0; i < f->t.subscription_count; i++)
        EXPECT_INT(f->t.subscriptions[i].visit, f->t.bookmarks[0].visit);
    return f->t.bookmarks[0].visit;
}

static void hear(fixture *f, uint64_t visit, uint64_t number, const char *type, const char *data)
{
    if (f->t.changed)
        fixture_reload(f);
    fixture_message(
        f, visit, number,
        pw_arena_printf(&f->arena, "{\"id\":\"m%d\",\"source\":\"/s\",\"type\":\"%s\",\"data\":%s}",
                        (int)number, type, data)
            .ptr);
}

TEST(schedule, a_message_starts_an_instance_with_an_array_of_it_and_listening_goes_on_at_once)
{
    fixture f;
    open_schedule(&f, "on: { one: { with: { type: order.paid } } }", "");
    begin(&f, "null");
    uint64_t visit = listening(&f);
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    EXPECT(pw_state_hears(f.state));
    hear(&f, visit, 5, "other", "1");
    EXPECT(!f.t.changed);
    hear(&f, visit, 6, "order.paid", "{\"n\":1.50}");
    EXPECT_INT(f.t.taken_count, 1);
    EXPECT_INT(f.t.taken[0].number, 6);
    (void)started(&f);
    EXPECT_TEXT(
        payload(&f, 0, "input"),
        "[{\"id\":\"m6\",\"source\":\"/s\",\"type\":\"order.paid\",\"data\":{\"n\":1.50}}]");
    EXPECT_INT(f.t.bookmark_end_count, 1);
    EXPECT_INT(f.t.bookmark_ends[0].visit, visit);
    EXPECT(listening(&f) != visit);
    hear(&f, visit, 7, "order.paid", "2"); /* to the round before */
    EXPECT(!f.t.changed);
    fixture_close(&f);
}

TEST(schedule, data_are_data_if_it_says_so)
{
    fixture f;
    open_schedule(&f, "on: { one: { with: { type: order.paid } } }, read: data", "");
    begin(&f, "null");
    hear(&f, listening(&f), 1, "order.paid", "{\"n\":1.50}");
    EXPECT_TEXT(payload(&f, 0, "input"), "[{\"n\":1.50}]");
    fixture_close(&f);
}

TEST(schedule, all_waits_for_one_of_each)
{
    fixture f;
    open_schedule(&f, "on: { all: [ { with: { type: a } }, { with: { type: b } } ] }, read: data",
                  "");
    begin(&f, "null");
    uint64_t visit = listening(&f);
    hear(&f, visit, 1, "b", "1");
    EXPECT_INT(f.t.taken_count, 1);
    EXPECT_INT(f.t.message_count, 0);
    hear(&f, visit, 2, "b", "2");
    EXPECT(!f.t.changed);
    hear(&f, visit, 3, "a", "3");
    EXPECT_TEXT(payload(&f, 0, "input"), "[1,3]");
    visit = listening(&f);
    hear(&f, visit, 4, "a", "4");
    EXPECT_INT(f.t.message_count, 0); /* nothing is left of the round before */
    fixture_close(&f);
}

TEST(schedule, any_until_collects)
{
    fixture f;
    open_schedule(&f, "on: { any: [ { with: { type: a } } ], until: 'length == 3' }, read: data",
                  "");
    begin(&f, "null");
    uint64_t visit = listening(&f);
    for (int round = 0; round < 2; round++) {
        for (int i = 1; i <= 3; i++) {
            EXPECT_INT(f.t.message_count, 0);
            hear(&f, visit, (uint64_t)(10 * round + i), "a", i == 1 ? "1" : i == 2 ? "2" : "3");
            if (i == 3)
                EXPECT_TEXT(payload(&f, 0, "input"), "[1,2,3]");
        }
        visit = listening(&f);
        f.t.message_count = 0;
    }
    fixture_close(&f);
}

TEST(schedule, skip_drops_messages_while_the_one_before_runs)
{
    fixture f;
    open_schedule(&f, "on: { one: { with: { type: a } } }", "overlap: skip");
    begin(&f, "null");
    hear(&f, listening(&f), 1, "a", "1");
    const char *child = started(&f);
    hear(&f, listening(&f), 2, "a", "2");
    EXPECT_INT(f.t.taken_count, 1);
    EXPECT_INT(f.t.message_count, 0);
    EXPECT_TEXT(skipped(&f), "1, the one before still runs");
    uint64_t visit = listening(&f);
    child_ended(&f, child, T0 + 1, NULL);
    EXPECT_INT(f.t.bookmark_end_count, 0); /* it has never stopped listening */
    hear(&f, visit, 3, "a", "3");
    (void)started(&f);
    fixture_close(&f);
}

TEST(schedule, wait_lets_messages_wait_while_the_one_before_runs)
{
    fixture f;
    open_schedule(&f, "on: { one: { with: { type: a } } }", "overlap: wait");
    begin(&f, "null");
    hear(&f, listening(&f), 1, "a", "1");
    const char *child = started(&f);
    uint64_t visit = listening(&f);
    EXPECT(!pw_state_hears(f.state));
    hear(&f, visit, 2, "a", "2");
    EXPECT(!f.t.changed);
    EXPECT_INT(f.t.code, PAWL_BUSY); /* it is kept for it */
    fixture_event(&f, &(pw_event){ .kind = PW_EVENT_CHILD_ENDED,
                                   .now_ms = T0,
                                   .key = pw_str_of(child),
                                   .payload = pw_null() });
    EXPECT(f.t.changed);
    EXPECT(pw_state_hears(f.state));
    hear(&f, visit, 2, "a", "2");
    EXPECT_INT(f.t.taken_count, 1);
    (void)started(&f);
    fixture_close(&f);
}

TEST(schedule, a_listener_hands_over_what_it_has_heard)
{
    fixture f;
    open_schedule(&f, "on: { one: { with: { type: a } } }, read: data", "overlap: skip");
    begin(&f, "null");
    uint64_t visit = listening(&f);
    for (unsigned i = 1; i <= 1000; i++) {
        hear(&f, visit, i, "a", "1");
        const char *child = started(&f);
        visit = listening(&f);
        child_ended(&f, child, T0 + i, NULL);
        EXPECT_STATUS(f, "waiting");
    }
    hear(&f, visit, 1001, "a", "{\"last\":true}");
    EXPECT_INT(f.t.taken_count, 1);
    EXPECT_STATUS(f, "completed");
    EXPECT_INT(f.t.bookmark_count, 0);
    EXPECT_TEXT(payload(&f, 0, "schedule"), "true");
    const char *input = payload(&f, 0, "input");
    EXPECT_TEXT(fixture_member(&f, input, "heard"), "[{\"last\":true}]");
    f.identity.instance = PW_LIT("i2");
    f.state = NULL;
    begin(&f, input);
    (void)started(&f);
    EXPECT_TEXT(payload(&f, 0, "input"), "[{\"last\":true}]");
    (void)listening(&f);
    fixture_close(&f);
}

TEST(schedule, who_listens_and_is_cancelled_listens_no_more)
{
    fixture f;
    open_schedule(&f, "on: { one: { with: { type: a } } }", "");
    begin(&f, "null");
    uint64_t visit = listening(&f);
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    hear(&f, visit, 1, "a", "1");
    EXPECT(!f.t.changed);
    EXPECT_INT(f.t.code, PAWL_BUSY);
    fixture_command(&f, PW_EVENT_CANCEL, "ann", "");
    EXPECT_INT(f.t.bookmark_end_count, 1);
    EXPECT_INT(f.t.bookmark_ends[0].visit, visit);
    EXPECT(!pw_state_hears(f.state));
    fixture_close(&f);
}

/* ------------------------------------------------------------------ commands */

TEST(schedule, a_pause_starts_nothing_and_what_was_missed_is_made_up_for)
{
    fixture f;
    open_schedule(&f, "every: PT1H", "");
    begin(&f, "null");
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "holiday");
    EXPECT_INT(f.t.event_count, 0);
    timer(&f, T0 + HOUR);
    EXPECT(!f.t.changed);
    f.now_ms = T0 + 3 * HOUR + MINUTE;
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_INT(f.t.event_count, 0);
    (void)started(&f);
    EXPECT_TEXT(fixture_entries(&f),
                "instance.resumed; schedule.skipped /schedule; schedule.fired /schedule");
    EXPECT_TEXT(skipped(&f), "2, missed");
    EXPECT_INT(f.t.wake_at, T0 + 4 * HOUR);
    fixture_close(&f);
}

TEST(schedule, an_end_in_a_pause_is_kept_and_nothing_starts)
{
    fixture f;
    open_schedule(&f, "every: PT1H", "overlap: wait");
    begin(&f, "null");
    timer(&f, T0 + HOUR);
    const char *child = started(&f);
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    child_ended(&f, child, T0 + 2 * HOUR + MINUTE, NULL);
    EXPECT(f.t.changed);
    EXPECT_INT(f.t.message_count, 0);
    EXPECT_STATUS(f, "suspended");
    fixture_reload(&f);
    f.now_ms = T0 + 2 * HOUR + 2 * MINUTE;
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    (void)started(&f);
    fixture_close(&f);
}

TEST(schedule, a_cancel_stops_it_and_leaves_what_it_started)
{
    fixture f;
    open_schedule(&f, "every: PT1H", "overlap: skip");
    begin(&f, "null");
    timer(&f, T0 + HOUR);
    const char *child = started(&f);
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_CANCEL, "ann", "enough");
    EXPECT_STATUS(f, "cancelled");
    EXPECT_INT(f.t.message_count, 0);
    EXPECT_INT(f.t.event_count, 0);
    EXPECT_INT(f.t.bookmark_end_count, 1);
    EXPECT_STR(f.t.bookmark_ends[0].key, child);
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    child_ended(&f, child, T0 + 2 * HOUR, NULL);
    EXPECT_TEXT(fixture_entries(&f), "child.late");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ the state */

static const char *described(fixture *f)
{
    pw_value waits = pw_state_waits(f->state, f->program, &f->arena);
    EXPECT_INT(waits.count, 1);
    return fixture_text(
        f, pw_json_text(&f->arena, pw_get_lit(pw_item(waits, 0), "schedule"), PW_JSON_COMPACT));
}

TEST(schedule, its_waits_say_when_it_was_and_when_it_will_be)
{
    fixture f;
    open_schedule(&f, "every: PT1H", "overlap: skip");
    begin(&f, "null");
    EXPECT_TEXT(described(&f), "{\"written\":{\"every\":\"PT1H\"},\"fired\":0,\"next\":\"2026-09-21T15:13:20.000Z\"}");
    timer(&f, T0 + HOUR + 1);
    char expected[200];
    (void)snprintf(expected, sizeof expected,
                   "{\"written\":{\"every\":\"PT1H\"},\"fired\":1,\"last\":\"2026-09-21T15:13:20.001Z\",\"runs\":\"%s\"}",
                   started(&f));
    EXPECT_TEXT(described(&f), expected);
    fixture_close(&f);
}

TEST(schedule, a_stored_state_that_is_no_good_is_corrupt_or_harmless)
{
    static const struct {
        const char *from, *to;
        pawl_code code;
    } cases[] = {
        { "\"sc\":1,", "", PAWL_CORRUPT }, /* the workflow's list has no such task */
        { "\"sc\":1,", "\"sc\":2,", PAWL_CORRUPT },
        { "\"p\":4", "\"p\":11", PAWL_CORRUPT }, /* CHILD, without its id */
        { "\"anchor\":1790000000000", "\"anchor\":-5", PAWL_OK },
        { "\"anchor\":1790000000000", "\"anchor\":9223372036854775807", PAWL_OK },
        { "\"last\":1790000000000", "\"last\":{}", PAWL_OK },
        { "\"last\":1790000000000", "\"last\":9007199254740992", PAWL_OK },
        { "\"fired\":0", "\"fired\":9223372036854775807", PAWL_OK },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        fixture f;
        open_schedule(&f, "every: PT1H", "");
        begin(&f, "null");
        const char *text = fixture_text(&f, f.t.state_text), *at = strstr(text, cases[i].from);
        if (!at)
            fail_msg("%s is not in %s", cases[i].from, text);
        pw_str changed = pw_arena_printf(&f.arena, "%.*s%s%s", (int)(at - text), text, cases[i].to,
                                         at + strlen(cases[i].from));
        pw_state *state = NULL;
        pawl_error err;
        const pw_payload_source source = fixture_source(&f);
        EXPECT_INT(pw_state_parse(&state, changed, f.program, &source, &f.arena, &err),
                   cases[i].code);
        if (state) {
            f.state = state;
            fixture_timer(&f, T0 + HOUR);
            EXPECT_STATUS(f, "waiting");
        }
        fixture_close(&f);
    }
}

TEST_MAIN()
