/* schedule_test.c - definitions that start by themselves: one schedule of each lives, whatever is
 * deployed, killed or stopped, and starts what its times ask for, under a clock that the tests
 * move. */
#include <limits.h>
#include "fixture.h"
#include "base/moment.h"

#define T0 1790000000000ull /* 2026-09-21T14:13:20.000Z */
#define MINUTE 60000ull
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static const char nothing[] = "{}";
static const char hourly[] = "schedule: {every: PT1H}\n";
static const char quick[] = "  - a: {set: {x: 1}}";

/* test/NAME of this version; gives the answer. `ours`: metadata.pawl.schedule. */
static char *publish(fixture *f, const char *name, const char *version, const char *ours,
                     const char *schedule, const char *body)
{
    pw_buf buf;
    char *answer = NULL;
    pw_buf_init(&buf, 0);
    pw_buf_printf(&buf,
                  "document: {dsl: 1.0.3, namespace: test, name: %s, version: %s, metadata: {pawl: "
                  "{schedule: %s}}}\n"
                  "%sdo:\n%s\n",
                  name, version, ours, schedule, body);
    EXPECT_OK(pawl_deploy(f->p, buf.ptr, buf.len, NULL, NULL, &answer, &f->err), f->err);
    pw_buf_done(&buf);
    return answer;
}

static void publish_only(fixture *f, const char *name, const char *version, const char *ours,
                         const char *schedule, const char *body)
{
    pawl_free(publish(f, name, version, ours, schedule, body));
}

static void open_at(fixture *f, const char *store, uint64_t now)
{
    fixture_init(f, store);
    fixture_clock(f, now);
    fixture_open(f);
}

static void drain(fixture *f)
{
    EXPECT_OK(pawl_drain(f->p, WAIT_MS, &f->err), f->err);
}

static void tick(fixture *f, uint64_t now)
{
    fixture_clock(f, now);
    drain(f);
}

static char *schedules(fixture *f)
{
    char *text = NULL;
    EXPECT_OK(pawl_schedules(f->p, NULL, &text, &f->err), f->err);
    return text;
}

static void expect_schedules(fixture *f, const char *expression, const char *expected)
{
    char *text = schedules(f);
    EXPECT_ASK(text, expression, expected);
    pawl_free(text);
}

static unsigned started(fixture *f, const char *status) /* by all schedules; at most 1000 */
{
    const pawl_list_options options = { .struct_size = sizeof options,
                                        .status = status,
                                        .limit = 1000 };
    char *text = NULL;
    EXPECT_OK(pawl_list(f->p, &options, &text, &f->err), f->err);
    unsigned count = (unsigned)strtoul(ask(text, ".instances | length"), NULL, 10);
    pawl_free(text);
    return count;
}

static char *schedule_id(fixture *f) /* of the first */
{
    char *text = schedules(f);
    char *id = pw_strdup((pw_str){ ask(text, ".schedules[0].instance") + 1, PW_ID_LENGTH });
    pawl_free(text);
    return id;
}

TEST(schedules, a_deployment_starts_its_schedule_and_tells_which_it_is)
{
    fixture f;
    open_at(&f, NULL, T0);
    char *answer = publish(&f, "daily", "1.0.0", "{timeZone: UTC, overlap: skip}",
                           "schedule: {cron: '0 9 * * *'}\n", quick);
    char *id = schedule_id(&f), *text = schedules(&f);
    char expected[100];
    (void)snprintf(expected, sizeof expected, "\"%s\"", id);
    EXPECT_ASK(answer, ".schedule", expected);
    EXPECT_ASK(text, ".schedules | length", "1");
    EXPECT_ASK(text, ".schedules[0] | [.namespace,.name,.version,.status,.kind,.expression]",
               "[\"test\",\"daily\",\"1.0.0\",\"waiting\",\"cron\",\"0 9 * * *\"]");
    EXPECT_ASK(text, ".schedules[0] | [.timeZone,.overlap,.catchUp,.fired,.last,.next,.runs]",
               "[\"UTC\",\"skip\",\"one\",0,null,\"2026-09-22T09:00:00.000Z\",null]");
    EXPECT_INT(started(&f, NULL), 0); /* it is no instance that one asks for */
    pawl_free(text);
    const pawl_list_options options = { .struct_size = sizeof options, .schedules = 1 };
    EXPECT_OK(pawl_list(f.p, &options, &text, &f.err), f.err);
    EXPECT_ASK(text, ".instances | [length, .[0].status]", "[1,\"waiting\"]");
    pawl_free(text);
    EXPECT_OK(pawl_definitions(f.p, NULL, &text, &f.err), f.err);
    EXPECT_ASK(text, ".definitions[0].scheduled", "true");
    pawl_free(text);
    pawl_free(answer);
    answer = publish(&f, "daily", "1.0.0", "{timeZone: UTC, overlap: skip}",
                     "schedule: {cron: '0 9 * * *'}\n", quick);
    EXPECT_ASK(answer, ".created", "false");
    EXPECT_ASK(answer, ".schedule", expected); /* the same one */
    pawl_free(answer);
    publish_only(&f, "other", "1.0.0", nothing, "", quick);
    expect_schedules(&f, ".schedules | length", "1");
    pawl_free(id);
    fixture_done(&f);
}

TEST(schedules, a_time_that_comes_starts_an_instance_of_that_version)
{
    fixture f;
    open_at(&f, NULL, T0);
    publish_only(&f, "hourly", "1.0.0", nothing, hourly, "  - a: {set: {input: '${ . }'}}");
    tick(&f, T0 + HOUR - 1);
    EXPECT_INT(started(&f, NULL), 0);
    tick(&f, T0 + HOUR);
    char *text = NULL, *id = schedule_id(&f);
    const pawl_list_options children = { .struct_size = sizeof children, .parent = id };
    EXPECT_OK(pawl_list(f.p, &children, &text, &f.err), f.err);
    EXPECT_ASK(text, ".instances | map([.status, .version, .createdAt, .output])",
               "[[\"completed\",\"1.0.0\",\"2026-09-21T15:13:20.000Z\",{\"input\":null}]]");
    pawl_free(text);
    expect_schedules(&f, ".schedules[0] | [.fired, .last, .next]",
                     "[1,\"2026-09-21T15:13:20.000Z\",\"2026-09-21T16:13:20.000Z\"]");
    pawl_free(id);
    fixture_done(&f);
}

TEST(schedules, a_year_of_days_is_365_instances_and_1001_seconds_are_two_schedules)
{
    fixture f;
    open_at(&f, "memory:", T0);
    publish_only(&f, "daily", "1.0.0", nothing, "schedule: {cron: '@daily'}\n", quick);
    for (unsigned day = 1; day <= 365; day++)
        tick(&f, T0 + day * DAY);
    EXPECT_INT(started(&f, "completed"), 365);
    expect_schedules(&f, ".schedules[0].fired", "365");
    fixture_done(&f);

    open_at(&f, "memory:", T0);
    publish_only(&f, "often", "1.0.0", nothing, "schedule: {every: PT1S}\n", quick);
    for (unsigned second = 1; second <= 1001; second++)
        tick(&f, T0 + second * 1000);
    expect_schedules(&f, ".schedules | map([.fired, .next])",
                     "[[1001,\"2026-09-21T14:30:02.000Z\"]]");
    const pawl_list_options options = { .struct_size = sizeof options, .schedules = 1 };
    char *text = NULL;
    EXPECT_OK(pawl_list(f.p, &options, &text, &f.err), f.err);
    EXPECT_ASK(text, ".instances | map(.status) | sort", "[\"completed\",\"waiting\"]");
    EXPECT_ASK(text, ".instances | map(.id) == [.[0].id, .[0].parent]", "true");
    pawl_free(text);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ downtime */

static void down(const char *ours, uint64_t hours, unsigned expected)
{
    static unsigned stores;
    char store[500];
    fixture f;
    (void)snprintf(store, sizeof store, "%.400s/%u.db", pw_test_dir(), stores++);
    open_at(&f, store, T0);
    publish_only(&f, "hourly", "1.0.0", ours, hourly, quick);
    fixture_close(&f);
    fixture_clock(&f, T0 + hours * HOUR + 10 * MINUTE);
    fixture_open(&f);
    drain(&f);
    EXPECT_INT(started(&f, NULL), expected);
    expect_schedules(&f, ".schedules | map(.next | sub(\"T.*:13\"; \"\"))",
                     hours < 10 ? "[\"2026-09-21:20.000Z\"]" : "[\"2026-09-26:20.000Z\"]");
    char *id = schedule_id(&f), *text = steps(&f, id);
    char left[20];
    (void)snprintf(left, sizeof left, "%llu", (unsigned long long)hours - expected);
    EXPECT_ASK(text,
               "[.steps[].entries[] | select(.type == \"schedule.skipped\").count] | add // 0",
               left);
    pawl_free(text);
    pawl_free(id);
    tick(&f, T0 + (hours + 1) * HOUR);
    EXPECT_INT(started(&f, NULL), expected + 1);
    fixture_done(&f);
}

TEST(schedules, what_was_missed_while_nobody_was_there_is_made_up_for_as_it_says)
{
    down("{}", 5, 1);
    down("{catchUp: all}", 5, 5);
    down("{catchUp: none}", 5, 0);
    down("{catchUp: none}", 1, 0);
    down("{catchUp: one}", 1, 1);
    down("{catchUp: all}", 105, 100);
}

/* ------------------------------------------------------------------ versions */

static void set_status(fixture *f, const char *version, const char *status)
{
    EXPECT_OK(pawl_definition_status(f->p, "test/hourly", version, status, &f->err), f->err);
}

TEST(schedules, only_the_newest_published_version_has_one)
{
    fixture f;
    open_at(&f, NULL, T0);
    publish_only(&f, "hourly", "1.0.0", nothing, hourly, quick);
    publish_only(&f, "hourly", "2.0.0", nothing, "schedule: {every: PT2H}\n", quick);
    expect_schedules(&f, ".schedules | map([.version, .expression])", "[[\"2.0.0\",\"PT2H\"]]");
    publish_only(&f, "hourly", "1.5.0", nothing, hourly, quick); /* older than what there is */
    expect_schedules(&f, ".schedules | map(.version)", "[\"2.0.0\"]");
    set_status(&f, "2.0.0", "deprecated");
    expect_schedules(&f, ".schedules | map(.version)", "[\"1.5.0\"]");
    set_status(&f, "1.5.0", "archived");
    expect_schedules(&f, ".schedules | map(.version)", "[\"1.0.0\"]");
    set_status(&f, "1.0.0", "archived");
    expect_schedules(&f, ".schedules", "[]");
    set_status(&f, "2.0.0", "published");
    expect_schedules(&f, ".schedules | map(.version)", "[\"2.0.0\"]");
    publish_only(&f, "hourly", "3.0.0", nothing, "", quick); /* has none any more */
    expect_schedules(&f, ".schedules", "[]");
    tick(&f, T0 + 10 * HOUR);
    EXPECT_INT(started(&f, NULL), 0);
    fixture_done(&f);
}

static void deploy_version(void *context, unsigned number)
{
    char version[20];
    (void)snprintf(version, sizeof version, "1.%u.0", number);
    fixture *f = context;
    char text[300];
    pawl_error err;
    int length =
        snprintf(text, sizeof text,
                 "document: {dsl: 1.0.3, namespace: test, name: hourly, version: %s}\n%sdo:\n%s\n",
                 version, hourly, quick);
    EXPECT_OK(pawl_deploy(f->p, text, (size_t)length, NULL, NULL, NULL, &err), err);
}

TEST(schedules, many_who_deploy_at_once_leave_one)
{
    fixture f;
    open_at(&f, NULL, T0);
    crew_run(8, deploy_version, &f);
    expect_schedules(&f, ".schedules | map(.version)", "[\"1.7.0\"]");
    tick(&f, T0 + HOUR);
    EXPECT_INT(started(&f, NULL), 1);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ open */

TEST(schedules, an_open_starts_what_a_deployment_could_not)
{
    fixture f;
    open_at(&f, NULL, T0);
    fixture_close(&f); /* an engine would find it at any time */
    pw_store *store = NULL;
    const pw_store_options options = { pw_str_of(f.store), PW_STORE_OWN, false };
    const char text[] = "document: {dsl: 1.0.3, namespace: test, name: hourly, version: 1.0.0}\n"
                        "schedule: {every: PT1H}\ndo: []\n";
    const pw_definition d = { .namespace_ = PW_LIT("test"),
                              .name = PW_LIT("hourly"),
                              .version = PW_LIT("1.0.0"),
                              .digest = PW_LIT("d"),
                              .document = { text, sizeof text - 1 },
                              .level = PW_EXPR_LEVEL,
                              .created_ms = (int64_t)T0,
                              .scheduled = true };
    bool created;
    EXPECT_OK(pw_store_open(&store, &options, &f.err), f.err);
    EXPECT_OK(pw_store_definition_put(store, &d, &created, &f.err), f.err); /* and then it died */
    pw_store_close(store);
    fixture_open(&f);
    drain(&f);
    expect_schedules(&f, ".schedules | map(.version)", "[\"1.0.0\"]");
    fixture_close(&f);
    fixture_open(&f);
    drain(&f);
    expect_schedules(&f, ".schedules | map(.version)", "[\"1.0.0\"]");
    tick(&f, T0 + HOUR);
    EXPECT_INT(started(&f, NULL), 1);
    fixture_done(&f);
}

TEST(schedules, what_a_person_has_stopped_stays_stopped_until_another_version_comes)
{
    fixture f;
    open_at(&f, NULL, T0);
    publish_only(&f, "hourly", "1.0.0", nothing, hourly, quick);
    char *id = schedule_id(&f);
    EXPECT_OK(pawl_cancel(f.p, id, "ann", "enough", &f.err), f.err);
    expect_schedules(&f, ".schedules", "[]");
    char *answer = publish(&f, "hourly", "1.0.0", nothing, hourly, quick);
    EXPECT_ASK(answer, "[.created, .schedule]", "[false,null]");
    pawl_free(answer);
    fixture_close(&f);
    fixture_open(&f);
    drain(&f);
    expect_schedules(&f, ".schedules", "[]");
    publish_only(&f, "hourly", "1.1.0", nothing, hourly, quick);
    expect_schedules(&f, ".schedules | map(.version)", "[\"1.1.0\"]");
    pawl_free(id);
    fixture_done(&f);
}

TEST(schedules, a_pause_outlives_the_process)
{
    fixture f;
    open_at(&f, NULL, T0);
    publish_only(&f, "hourly", "1.0.0", nothing, hourly, quick);
    char *id = schedule_id(&f);
    EXPECT_OK(pawl_suspend(f.p, id, "ann", NULL, &f.err), f.err);
    fixture_close(&f);
    fixture_clock(&f, T0 + 3 * HOUR);
    fixture_open(&f);
    tick(&f, T0 + 4 * HOUR);
    EXPECT_INT(started(&f, NULL), 0);
    expect_schedules(&f, ".schedules | map(.status)", "[\"suspended\"]");
    EXPECT_OK(pawl_continue(f.p, id, "ann", NULL, &f.err), f.err);
    drain(&f);
    EXPECT_INT(started(&f, NULL), 1);
    expect_schedules(&f, ".schedules | map([.status, .next])",
                     "[[\"waiting\",\"2026-09-21T19:13:20.000Z\"]]");
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ what it started */

TEST(schedules, skip_starts_none_beside_the_one_that_runs)
{
    fixture f;
    open_at(&f, NULL, T0);
    publish_only(&f, "hourly", "1.0.0", "{overlap: skip}", hourly, "  - a: {call: gate}");
    tick(&f, T0 + HOUR - 1);
    fixture_clock(&f, T0 + HOUR);
    gate_wait_entered(&f.gate, 1);
    expect_schedules(&f, ".schedules | map([.next, (.runs | length)])", "[[null,26]]");
    fixture_clock(&f, T0 + 3 * HOUR + 1);
    EXPECT_INT(gate_entered(&f.gate), 1);
    gate_open(&f.gate, 1);
    drain(&f);
    EXPECT_INT(started(&f, "completed"), 1);
    expect_schedules(&f, ".schedules | map([.next, .runs])",
                     "[[\"2026-09-21T18:13:20.000Z\",null]]");
    gate_open(&f.gate, UINT_MAX);
    tick(&f, T0 + 4 * HOUR);
    EXPECT_INT(started(&f, "completed"), 2);
    fixture_done(&f);
}

TEST(schedules, wait_starts_one_behind_the_one_that_runs)
{
    fixture f;
    open_at(&f, NULL, T0);
    publish_only(&f, "hourly", "1.0.0", "{overlap: wait}", hourly, "  - a: {call: gate}");
    fixture_clock(&f, T0 + HOUR);
    gate_wait_entered(&f.gate, 1);
    fixture_clock(&f, T0 + 3 * HOUR + 1);
    gate_open(&f.gate, 1);
    gate_wait_entered(&f.gate, 2);
    gate_open(&f.gate, UINT_MAX);
    drain(&f);
    EXPECT_INT(started(&f, "completed"), 2);
    expect_schedules(&f, ".schedules | map([.fired, .next])", "[[2,\"2026-09-21T18:13:20.000Z\"]]");
    fixture_done(&f);
}

TEST(schedules, after_waits_behind_each_end_also_behind_faults)
{
    fixture f;
    open_at(&f, NULL, T0);
    publish_only(&f, "again", "1.0.0", nothing, "schedule: {after: PT10M}\n",
                 "  - a: {call: failing}");
    uint64_t now = T0;
    for (unsigned i = 1; i <= 3; i++) {
        now += 10 * MINUTE;
        tick(&f, now - 1);
        EXPECT_INT(started(&f, "faulted"), i - 1);
        now += MINUTE; /* late: the next counts from here */
        tick(&f, now);
        EXPECT_INT(started(&f, "faulted"), i);
    }
    expect_schedules(&f, ".schedules | map([.kind, .fired, .next])",
                     "[[\"after\",3,\"2026-09-21T14:56:20.000Z\"]]");
    fixture_done(&f);
}

TEST(schedules, an_end_that_came_while_nobody_was_there_is_heard)
{
    fixture f;
    open_at(&f, NULL, T0);
    publish_only(&f, "again", "1.0.0", nothing, "schedule: {after: PT10M}\n",
                 "  - ask: {call: userTask, with: {key: ok, title: Go on}}");
    tick(&f, T0 + 10 * MINUTE);
    char *text = schedules(&f);
    char *child = pw_strdup((pw_str){ ask(text, ".schedules[0].runs") + 1, PW_ID_LENGTH });
    pawl_free(text);
    fixture_close(&f);
    fixture_open(&f);
    fixture_clock(&f, T0 + 60 * MINUTE);
    EXPECT_OK(pawl_resume(f.p, child, "ok", "{}", "ann", &f.err), f.err);
    drain(&f);
    expect_schedules(&f, ".schedules | map(.next)", "[\"2026-09-21T15:23:20.000Z\"]");
    pawl_free(child);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ messages */

static void send(fixture *f, unsigned from, unsigned to, const char *type)
{
    for (unsigned i = from; i <= to; i++) {
        char text[200];
        (void)snprintf(text, sizeof text,
                       "{\"specversion\":\"1.0\",\"id\":\"%s%u\",\"source\":\"/"
                       "s\",\"type\":\"%s\",\"data\":%u}",
                       type, i, type, i);
        EXPECT_OK(pawl_publish(f->p, text, NULL, NULL, &f->err), f->err);
    }
}

/* Sorted outputs of all that was started. */
static void expect_outputs(fixture *f, const char *expected)
{
    const pawl_list_options options = { .struct_size = sizeof options, .limit = 1000 };
    char *text = NULL;
    EXPECT_OK(pawl_list(f->p, &options, &text, &f->err), f->err);
    EXPECT_ASK(text, "[.instances[].output.got] | sort", expected);
    pawl_free(text);
}

TEST(schedules, each_message_starts_one_and_none_is_lost_between_two)
{
    fixture f;
    open_at(&f, NULL, T0);
    publish_only(&f, "paid", "1.0.0", nothing,
                 "schedule: {on: {one: {with: {type: a}}}, read: data}\n",
                 "  - a: {set: {got: '${ . }'}}");
    send(&f, 1, 5, "a");
    send(&f, 1, 2, "b"); /* for nobody */
    drain(&f);
    expect_outputs(&f, "[[1],[2],[3],[4],[5]]");
    fixture_close(&f);
    fixture_open(&f);
    send(&f, 6, 6, "a");
    drain(&f);
    expect_outputs(&f, "[[1],[2],[3],[4],[5],[6]]");
    expect_schedules(&f, ".schedules | map([.kind, .fired, .next])", "[[\"on\",6,null]]");
    fixture_done(&f);
}

TEST(schedules, any_until_and_all_collect_their_messages)
{
    fixture f;
    open_at(&f, NULL, T0);
    publish_only(&f, "three", "1.0.0", nothing,
                 "schedule: {on: {any: [{with: {type: a}}], until: 'length == 3'}, read: data}\n",
                 "  - a: {set: {got: '${ . }'}}");
    publish_only(&f, "both", "1.0.0", nothing,
                 "schedule: {on: {all: [{with: {type: c}}, {with: {type: b}}]}, read: data}\n",
                 "  - a: {set: {got: '${ sort }'}}");
    send(&f, 1, 7, "a");
    send(&f, 21, 21, "c");
    send(&f, 11, 12, "b");
    drain(&f);
    /* the second b waits for its c */
    expect_outputs(&f, "[[1,2,3],[4,5,6],[11,21]]");
    send(&f, 8, 9, "a");
    send(&f, 22, 22, "c");
    drain(&f);
    expect_outputs(&f, "[[1,2,3],[4,5,6],[7,8,9],[11,21],[12,22]]");
    fixture_done(&f);
}

TEST(schedules, messages_wait_for_who_waits_for_the_one_before)
{
    fixture f;
    open_at(&f, NULL, T0);
    publish_only(&f, "one", "1.0.0", "{overlap: wait}",
                 "schedule: {on: {one: {with: {type: a}}}, read: data}\n",
                 "  - a: {call: gate}\n  - b: {set: {got: '${ $workflow.input }'}}");
    send(&f, 1, 3, "a");
    gate_wait_entered(&f.gate, 1);
    fixture_close(&f); /* the rest waits in the store */
    fixture_open(&f);
    gate_open(&f.gate, UINT_MAX);
    drain(&f);
    expect_outputs(&f, "[[1],[2],[3]]");
    fixture_done(&f);
}

TEST(schedules, a_successor_listens_where_the_one_before_ended)
{
    fixture f;
    open_at(&f, "memory:", T0);
    publish_only(&f, "paid", "1.0.0", nothing,
                 "schedule: {on: {one: {with: {type: a}}}, read: data}\n",
                 "  - a: {set: {got: '${ . }'}}");
    send(&f, 1, 1100, "a");
    drain(&f);
    expect_schedules(&f, ".schedules | map(.fired)", "[1100]");
    fixture_done(&f);
}

TEST_MAIN()
