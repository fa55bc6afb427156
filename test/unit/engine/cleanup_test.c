/* cleanup_test.c - what is old goes: by itself and by hand, in batches, exported before, stopped at any time, and never what is
 * not over. */
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fixture.h"
#include "store/memory/memory.h"

#define T0 1800000000000ull /* 2027-01-15T08:00:00.000Z */
#define HOUR 3600000ull
#define DAY (24 * HOUR)

static const char work[] = "  - a: {set: {x: 1}}";
static const char wait_for_me[] = "  - a: {call: gate, with: {}}";

typedef struct old {
    fixture f;
    pawl_cleanup_settings settings;
    pawl_resilience resilience; /* the defaults, but nobody is told of as long-running: that would be a step more */
} old;

/* A clock that stands; what has ended goes after a day, its log after three. */
static void open_at(old *o, const char *store)
{
    fixture_init(&o->f, store);
    o->settings = pawl_cleanup_settings_default();
    o->settings.instances_ms = DAY;
    o->settings.steps_ms = 3 * DAY;
    o->settings.pause_ms = 0;
    o->f.options.cleanup = &o->settings;
    o->resilience = pawl_resilience_default();
    o->resilience.long_running_ms = 0;
    o->f.options.resilience = &o->resilience;
    fixture_clock(&o->f, T0);
}

static void begin(old *o, const char *store)
{
    open_at(o, store);
    fixture_open(&o->f);
    deploy(&o->f, "work", work);
    deploy(&o->f, "wait", wait_for_me);
}

static void forward(old *o, uint64_t ms)
{
    fixture_clock(&o->f, atomic_load(&o->f.now_ms) + ms);
}

/* Runs to its end now. */
static char *have_ended(old *o)
{
    char *id = start(&o->f, "work", "null");
    pawl_free(finish(&o->f, id));
    return id;
}

static void have_many(old *o, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        pawl_free(have_ended(o));
}

static void expect_instance(old *o, const char *id, const char *expression, const char *expected)
{
    char *text = show(&o->f, id);
    EXPECT_ASK(text, expression, expected);
    pawl_free(text);
}

/* How many there are, and how many of them are tombstones. */
static void expect_all(old *o, const char *expected)
{
    char *text = NULL;
    EXPECT_OK(pawl_list(o->f.p, &(pawl_list_options){ .struct_size = sizeof(pawl_list_options), .limit = 1000 }, &text, &o->f.err),
              o->f.err);
    EXPECT_ASK(text, ".instances | [length, (map(select(.cleanedAt)) | length)] | tojson", expected);
    pawl_free(text);
}

static void expect_run(old *o, int dry_run, const char *expression, const char *expected)
{
    char *text = NULL;
    EXPECT_OK(pawl_cleanup(o->f.p, dry_run, NULL, NULL, &text, &o->f.err), o->f.err);
    EXPECT_ASK(text, expression, expected);
    pawl_free(text);
}
#define NUMBERS "[.instances, .events, .steps, .bulks] | tojson"

static pw_service_state service_of(const old *o)
{
    pw_service_state state;
    pw_service_look(&o->f.p->services[PW_SERVICE_CLEANUP], &state);
    return state;
}

static void go_round(old *o)
{
    EXPECT_OK(pw_background_wait(pw_cleanup_background(o->f.p->cleanup), pw_monotonic_ns() + WAIT_MS * 1000000ull, &o->f.err),
              o->f.err);
}

/* ------------------------------------------------------------------ what goes, and what does not */

TEST(cleanup_service, what_ended_longer_ago_than_its_retention_goes_but_for_its_log)
{
    old o;
    begin(&o, NULL);
    char *id = have_ended(&o);
    forward(&o, DAY);
    expect_run(&o, 0, NUMBERS, "\"[0,0,0,0]\""); /* not longer ago: just so long */
    char *young = have_ended(&o);
    forward(&o, 1);
    expect_run(&o, 0, NUMBERS, "\"[1,0,0,0]\"");
    expect_instance(&o, id, "[.status, .cleanedAt, .output, .waits] | tojson",
                    "\"[\\\"completed\\\",\\\"2027-01-16T08:00:00.001Z\\\",null,null]\"");
    expect_instance(&o, young, "[.status, .cleanedAt, .output] | tojson", "\"[\\\"completed\\\",null,{\\\"x\\\":1}]\"");
    char *log = steps(&o.f, id);
    EXPECT_ASK(log, "[.steps[].entries[].type] | tojson",
               "\"[\\\"instance.started\\\",\\\"task.completed\\\",\\\"instance.completed\\\"]\"");
    pawl_free(log);
    pawl_free(id);
    pawl_free(young);
    fixture_done(&o.f);
}

TEST(cleanup_service, the_log_goes_when_its_own_retention_is_over_and_the_instance_with_it)
{
    old o;
    begin(&o, NULL);
    char *id = have_ended(&o);
    forward(&o, 2 * DAY);
    expect_run(&o, 0, NUMBERS, "\"[1,0,0,0]\"");
    forward(&o, DAY);
    expect_run(&o, 0, NUMBERS, "\"[0,0,0,0]\"");
    forward(&o, 1);
    expect_run(&o, 0, NUMBERS, "\"[0,0,1,0]\"");
    expect_all(&o, "\"[0,0]\"");
    char *text = NULL;
    EXPECT_INT(pawl_show(o.f.p, id, &text, &o.f.err), PAWL_NOT_FOUND);
    EXPECT_INT(o.f.err.reason, PAWL_REASON_NO_INSTANCE);
    pawl_free(id);
    fixture_done(&o.f);
}

TEST(cleanup_service, what_has_not_ended_is_never_touched_nor_its_log)
{
    old o;
    begin(&o, NULL);
    char *id = start(&o.f, "wait", "null");
    gate_wait_entered(&o.f.gate, 1);
    forward(&o, 1000 * DAY);
    expect_run(&o, 0, NUMBERS, "\"[0,0,0,0]\"");
    expect_instance(&o, id, ".cleanedAt", "null");
    char *log = steps(&o.f, id);
    EXPECT_ASK(log, ".steps | length", "1");
    pawl_free(log);
    gate_open(&o.f.gate, 1);
    pawl_free(finish(&o.f, id));
    expect_run(&o, 0, NUMBERS, "\"[0,0,1,0]\""); /* it has ended now: its first step is old */
    pawl_free(id);
    fixture_done(&o.f);
}

TEST(cleanup_service, what_has_an_open_incident_is_kept_until_somebody_has_ended_it)
{
    old o;
    begin(&o, NULL);
    deploy(&o.f, "fails", "  - a: {call: failing, with: {}}");
    char *id = start(&o.f, "fails", "null");
    pawl_free(finish(&o.f, id));
    forward(&o, 1000 * DAY);
    expect_run(&o, 0, NUMBERS, "\"[0,0,0,0]\"");
    EXPECT_OK(pawl_act(o.f.p, &(pawl_act_options){ .struct_size = sizeof(pawl_act_options), .action = PAWL_FAIL, .id = id,
                                                   .reason = "nothing can be done" },
                       NULL, NULL, &o.f.err),
              o.f.err);
    forward(&o, 2 * DAY);
    expect_run(&o, 0, ".instances", "1");
    expect_instance(&o, id, "[.status, (.cleanedAt != null)] | tojson", "\"[\\\"faulted\\\",true]\"");
    pawl_free(id);
    fixture_done(&o.f);
}

TEST(cleanup_service, a_child_is_kept_as_long_as_its_parent_may_want_to_undo_it)
{
    old o;
    open_at(&o, NULL);
    o.settings.steps_ms = 100 * DAY;
    fixture_open(&o.f);
    deploy(&o.f, "work", work);
    deploy(&o.f, "parent", "  - a: {run: {workflow: {namespace: test, name: work, version: 1.0.0}}}\n"
                           "  - b: {call: gate, with: {}}");
    char *id = start(&o.f, "parent", "null");
    gate_wait_entered(&o.f.gate, 1);
    forward(&o, 10 * DAY);
    expect_run(&o, 0, NUMBERS, "\"[0,0,0,0]\"");
    gate_open(&o.f.gate, 1);
    pawl_free(finish(&o.f, id));
    forward(&o, DAY + 1);
    expect_run(&o, 0, ".instances", "2");
    expect_all(&o, "\"[2,2]\"");
    pawl_free(id);
    fixture_done(&o.f);
}

TEST(cleanup_service, steps_of_an_ended_instance_go_before_it_where_its_log_is_kept_shorter)
{
    old o;
    open_at(&o, NULL);
    o.settings.instances_ms = 10 * DAY;
    fixture_open(&o.f);
    deploy(&o.f, "work", work);
    char *id = have_ended(&o), *fork = NULL;
    forward(&o, 3 * DAY + 1);
    expect_run(&o, 0, NUMBERS, "\"[0,0,1,0]\"");
    expect_instance(&o, id, "[.cleanedAt, .output.x] | tojson", "\"[null,1]\"");
    EXPECT_INT(pawl_fork(o.f.p, &(pawl_fork_options){ .struct_size = sizeof(pawl_fork_options), .id = id, .step = 1 }, NULL,
                         &fork, &o.f.err),
               PAWL_NOT_FOUND); /* its log has no such step any more */
    forward(&o, 7 * DAY);
    expect_run(&o, 0, NUMBERS, "\"[1,0,0,0]\"");
    expect_all(&o, "\"[0,0]\""); /* there is no log that it would stay for */
    pawl_free(id);
    fixture_done(&o.f);
}

TEST(cleanup_service, nothing_goes_whose_retention_is_longer_than_time)
{
    old o;
    open_at(&o, NULL);
    o.settings.instances_ms = UINT64_MAX;
    o.settings.steps_ms = UINT64_MAX;
    fixture_open(&o.f);
    deploy(&o.f, "work", work);
    pawl_free(have_ended(&o));
    forward(&o, 1000 * DAY);
    expect_run(&o, 0, "[.instances, .steps, .before.instances, .before.steps] | tojson", "\"[0,0,null,null]\"");
    fixture_done(&o.f);
}

/* ------------------------------------------------------------------ batches */

static int count_calls(void *context, uint64_t done, uint64_t all)
{
    uint64_t *calls = context;
    EXPECT_INT(all, 0);
    if (calls[0] < 8)
        calls[1 + calls[0]] = done;
    calls[0]++;
    return 0;
}

TEST(cleanup_service, a_run_is_made_of_short_transactions)
{
    old o;
    open_at(&o, NULL);
    o.settings.batch = 10;
    fixture_open(&o.f);
    deploy(&o.f, "work", work);
    have_many(&o, 25);
    forward(&o, DAY + 1);
    uint64_t calls[9] = { 0 };
    EXPECT_OK(pawl_cleanup(o.f.p, 0, count_calls, calls, NULL, &o.f.err), o.f.err);
    EXPECT(calls[0] >= 3);
    EXPECT_INT(calls[1], 10);
    EXPECT_INT(calls[2], 20);
    EXPECT_INT(calls[3], 25);
    expect_all(&o, "\"[25,25]\"");
    fixture_done(&o.f);
}

static int stop_behind_the_first(void *context, uint64_t done, uint64_t all)
{
    (void)all;
    *(uint64_t *)context = done;
    return 1;
}

TEST(cleanup_service, a_run_that_is_stopped_leaves_whole_what_it_did_not_come_to)
{
    old o;
    open_at(&o, NULL);
    o.settings.batch = 4;
    fixture_open(&o.f);
    deploy(&o.f, "work", work);
    have_many(&o, 10);
    forward(&o, DAY + 1);
    uint64_t done = 0;
    char *text = NULL;
    EXPECT_OK(pawl_cleanup(o.f.p, 0, stop_behind_the_first, &done, &text, &o.f.err), o.f.err);
    EXPECT_INT(done, 4);
    EXPECT_ASK(text, "[.instances, .stopped] | tojson", "\"[4,true]\"");
    pawl_free(text);
    expect_all(&o, "\"[10,4]\"");
    expect_run(&o, 0, "[.instances, .stopped] | tojson", "\"[6,false]\"");
    fixture_done(&o.f);
}

TEST(cleanup_service, a_dry_run_says_what_a_run_would_delete)
{
    old o;
    begin(&o, NULL);
    have_many(&o, 7);
    forward(&o, DAY + 1);
    expect_run(&o, 1, "[.dryRun, .instances, .rows > 0, .bytesGiven] | tojson", "\"[true,7,true,0]\"");
    expect_all(&o, "\"[7,0]\"");
    expect_run(&o, 0, "[.dryRun, .instances] | tojson", "\"[false,7]\"");
    forward(&o, 3 * DAY);
    expect_run(&o, 1, NUMBERS, "\"[0,0,7,0]\"");
    expect_all(&o, "\"[7,7]\"");
    fixture_done(&o.f);
}

TEST(cleanup_service, room_is_given_back_to_the_file_system)
{
    enum { LARGE = 200000 };
    static char input[LARGE + 3];
    old o;
    begin(&o, NULL);
    memset(input, 'x', sizeof input);
    input[0] = input[LARGE + 1] = '"';
    input[LARGE + 2] = '\0';
    char *ids[8];
    for (size_t i = 0; i < PW_LENGTH(ids); i++) {
        ids[i] = start(&o.f, "work", input);
        pawl_free(finish(&o.f, ids[i]));
        pawl_free(ids[i]);
    }
    forward(&o, 4 * DAY);
    expect_run(&o, 0, "[.instances, .steps, .bytesGiven >= 1600000] | tojson", "\"[8,8,true]\"");
    pw_store_space space;
    EXPECT_OK(pw_store_space_look(o.f.p->store, &space, &o.f.err), o.f.err);
    EXPECT_INT(space.free_bytes, 0);
    fixture_done(&o.f);
}

/* ------------------------------------------------------------------ exports */

/* The only file of the folder; NULL: there is none. */
static const char *file_in(const char *folder)
{
    static char path[1024];
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    size_t count = 0;
    EXPECT(dir != NULL);
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.') {
            (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            count++;
        }
    (void)closedir(dir);
    EXPECT(count <= 1);
    return count ? path : NULL;
}

TEST(cleanup_service, what_goes_is_written_to_a_file_before)
{
    old o;
    char folder[512], line[16384];
    open_at(&o, NULL);
    (void)snprintf(folder, sizeof folder, "%s/export", pw_test_dir());
    EXPECT_INT(mkdir(folder, 0700), 0);
    o.settings.export_path = folder;
    fixture_open(&o.f);
    deploy(&o.f, "work", work);
    char *id = have_ended(&o);
    expect_run(&o, 0, ".exported", "null"); /* nothing went: no file */
    EXPECT(file_in(folder) == NULL);
    forward(&o, DAY + 1);
    expect_run(&o, 1, ".exported", "null"); /* a dry run exports nothing */
    expect_run(&o, 0, ".exported | endswith(\"/export/pawl-20270116T080000.001Z.ndjson\")", "true");
    const char *path = file_in(folder);
    EXPECT(path != NULL);
    struct stat info;
    EXPECT_INT(stat(path, &info), 0);
    EXPECT_INT(info.st_mode & 0777, 0600);
    FILE *file = fopen(path, "r");
    EXPECT(file && fgets(line, sizeof line, file));
    EXPECT_ASK(line, "[.table, .status, .output.x] | tojson", "\"[\\\"instance\\\",\\\"completed\\\",1]\"");
    EXPECT_CONTAINS(line, id);
    unsigned events = 0;
    while (fgets(line, sizeof line, file)) {
        EXPECT_ASK(line, ".table", "\"outbox\"");
        events++;
    }
    EXPECT_INT(events, 2); /* it started, it ended */
    (void)fclose(file);
    pawl_free(id);
    fixture_done(&o.f);
}

TEST(cleanup_service, what_cannot_be_exported_stays)
{
    old o;
    char folder[512];
    open_at(&o, NULL);
    (void)snprintf(folder, sizeof folder, "%s/away", pw_test_dir());
    EXPECT_INT(mkdir(folder, 0700), 0);
    o.settings.export_path = folder;
    fixture_open(&o.f);
    deploy(&o.f, "work", work);
    have_many(&o, 3);
    forward(&o, DAY + 1);
    EXPECT_INT(rmdir(folder), 0);
    char *text = NULL;
    EXPECT_INT(pawl_cleanup(o.f.p, 0, NULL, NULL, &text, &o.f.err), PAWL_INVALID);
    EXPECT_CONTAINS(o.f.err.message, "/away': No such file or directory: make it first");
    expect_all(&o, "\"[3,0]\"");
    EXPECT_OK(pawl_health(o.f.p, &o.f.err), o.f.err); /* the store is well */
    EXPECT_INT(mkdir(folder, 0700), 0);
    expect_run(&o, 0, ".instances", "3");
    fixture_done(&o.f);
}

/* ------------------------------------------------------------------ the service: start, work, error, stop */

TEST(cleanup_service, it_goes_round_by_itself_and_tells_how_it_is)
{
    old o;
    open_at(&o, NULL);
    o.settings.run_ms = 1;
    fixture_open(&o.f);
    deploy(&o.f, "work", work);
    have_many(&o, 5);
    forward(&o, DAY + 1);
    go_round(&o);
    expect_all(&o, "\"[5,5]\"");
    forward(&o, 3 * DAY);
    go_round(&o);
    expect_all(&o, "\"[0,0]\"");
    pw_service_state state = service_of(&o);
    EXPECT_INT(state.items, 10); /* five instances, and the step of each */
    EXPECT_INT(state.failed_rounds, 0);
    EXPECT(state.enabled);
    EXPECT_INT(state.interval_ms, 1);
    fixture_done(&o.f);
}

TEST(cleanup_service, a_store_that_fails_is_opened_again_and_the_next_round_goes_on)
{
    old o;
    begin(&o, "memory:");
    have_many(&o, 3);
    forward(&o, DAY + 1);
    pw_memory_fail_commit(o.f.p->store, 1, false);
    EXPECT_INT(pw_background_wait(pw_cleanup_background(o.f.p->cleanup), pw_monotonic_ns() + WAIT_MS * 1000000ull, &o.f.err),
               PAWL_OK);
    pw_service_state state = service_of(&o);
    EXPECT(state.failed_rounds >= 1); /* more where this thread comes late: it goes round again within a second */
    if (state.failures_in_row > 0)
        EXPECT_CONTAINS(state.error, "fail");
    while (pawl_cleanup(o.f.p, 1, NULL, NULL, NULL, &o.f.err) == PAWL_IO)
        (void)sched_yield(); /* until it was opened again */
    go_round(&o);
    expect_all(&o, "\"[3,3]\"");
    state = service_of(&o);
    EXPECT_INT(state.failures_in_row, 0);
    EXPECT_TEXT(state.error, "");
    fixture_done(&o.f);
}

TEST(cleanup_service, a_transaction_that_took_place_though_nobody_heard_is_not_done_twice)
{
    old o;
    begin(&o, "memory:");
    have_many(&o, 3);
    forward(&o, DAY + 1);
    pw_memory_fail_commit(o.f.p->store, 1, true);
    EXPECT_INT(pawl_cleanup(o.f.p, 0, NULL, NULL, NULL, &o.f.err), PAWL_IO);
    while (pawl_cleanup(o.f.p, 1, NULL, NULL, NULL, &o.f.err) == PAWL_IO)
        (void)sched_yield();
    expect_all(&o, "\"[3,3]\"");
    expect_run(&o, 0, ".instances", "0");
    fixture_done(&o.f);
}

TEST(cleanup_service, it_ends_at_once_when_the_engine_closes_and_leaves_nothing_half)
{
    old o;
    open_at(&o, NULL);
    fixture_open(&o.f);
    deploy(&o.f, "work", work);
    have_many(&o, 40);
    fixture_close(&o.f);
    o.settings.run_ms = 1;
    o.settings.batch = 1;
    forward(&o, DAY + 1);
    fixture_open(&o.f);
    fixture_close(&o.f); /* wherever it is */
    o.settings.run_ms = HOUR;
    fixture_open(&o.f);
    char *text = NULL;
    EXPECT_OK(pawl_list(o.f.p, &(pawl_list_options){ .struct_size = sizeof(pawl_list_options), .limit = 1000 }, &text, &o.f.err),
              o.f.err);
    EXPECT_ASK(text, "[.instances | length, ([.[] | select((.cleanedAt == null) != (.output != null))] | length)] | tojson",
               "\"[40,0]\"");
    pawl_free(text);
    expect_run(&o, 0, ".stopped", "false");
    expect_all(&o, "\"[40,40]\"");
    fixture_done(&o.f);
}

TEST(cleanup_service, where_it_is_switched_off_it_is_done_by_hand_only)
{
    old o;
    open_at(&o, NULL);
    o.settings.run_ms = 1;
    o.f.options.services_off = PAWL_SERVICE_CLEANUP;
    fixture_open(&o.f);
    deploy(&o.f, "work", work);
    have_many(&o, 2);
    forward(&o, DAY + 1);
    EXPECT(pw_cleanup_background(o.f.p->cleanup) == NULL);
    EXPECT(!service_of(&o).enabled);
    pw_cleanup_wake(o.f.p->cleanup); /* nobody hears */
    expect_all(&o, "\"[2,0]\"");
    expect_run(&o, 0, ".instances", "2");
    fixture_done(&o.f);
}

static void clean_and_count(void *context, unsigned number)
{
    old *o = context;
    char *text = NULL;
    pawl_error err;
    (void)number;
    EXPECT_OK(pawl_cleanup(o->f.p, 0, NULL, NULL, &text, &err), err);
    pawl_free(text);
}

TEST(cleanup_service, of_several_that_are_asked_for_at_once_each_waits_for_the_one_before)
{
    old o;
    open_at(&o, NULL);
    o.settings.batch = 3;
    fixture_open(&o.f);
    deploy(&o.f, "work", work);
    have_many(&o, 20);
    forward(&o, DAY + 1);
    crew_run(4, clean_and_count, &o);
    expect_all(&o, "\"[20,20]\"");
    fixture_done(&o.f);
}

TEST(cleanup_service, who_asks_while_it_closes_or_only_looks_is_refused)
{
    old o;
    begin(&o, NULL);
    have_many(&o, 2);
    forward(&o, DAY + 1);
    pawl_options options = o.f.options;
    options.mode = PAWL_READ;
    pawl *reader = NULL;
    char *text = NULL;
    EXPECT_OK(pawl_open(&reader, &options, &o.f.err), o.f.err);
    EXPECT_INT(pawl_cleanup(reader, 0, NULL, NULL, &text, &o.f.err), PAWL_INVALID);
    EXPECT_CONTAINS(o.f.err.message, "PAWL_READ");
    pawl_close(reader);
    pw_cleanup_stop(o.f.p->cleanup); /* as the close does, before it waits for who is in it */
    EXPECT_INT(pawl_cleanup(o.f.p, 0, NULL, NULL, &text, &o.f.err), PAWL_BUSY);
    EXPECT_TEXT(o.f.err.message, "closing");
    EXPECT(text == NULL);
    expect_all(&o, "\"[2,0]\"");
    fixture_done(&o.f);
}

TEST(cleanup_service, settings_that_cannot_be_are_refused)
{
    static const struct {
        const char *message;
        size_t struct_size;
        uint64_t run_ms;
        uint32_t batch;
        const char *export_path;
    } cases[] = {
        { "cleanup: struct_size is 0; begin with pawl_cleanup_settings_default()", 0, 1, 1, NULL },
        { "cleanup: run_ms must be at least 1", sizeof(pawl_cleanup_settings), 0, 1, NULL },
        { "cleanup: batch must be 1 to 1000, not 0", sizeof(pawl_cleanup_settings), 1, 0, NULL },
        { "cleanup: batch must be 1 to 1000, not 1001", sizeof(pawl_cleanup_settings), 1, 1001, NULL },
        { "cleanup: a store in memory has no rows to export: take export_path away", sizeof(pawl_cleanup_settings), 1, 1, "/" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        old o;
        open_at(&o, "memory:");
        o.settings.struct_size = cases[i].struct_size;
        o.settings.run_ms = cases[i].run_ms;
        o.settings.batch = cases[i].batch;
        o.settings.export_path = cases[i].export_path;
        EXPECT_INT(pawl_open(&o.f.p, &o.f.options, &o.f.err), PAWL_INVALID);
        EXPECT_TEXT(o.f.err.message, cases[i].message);
        fixture_done(&o.f);
    }
    old o;
    open_at(&o, NULL);
    o.settings.export_path = "/dev/null";
    EXPECT_INT(pawl_open(&o.f.p, &o.f.options, &o.f.err), PAWL_INVALID);
    EXPECT_TEXT(o.f.err.message, "cleanup: '/dev/null' is no folder: name one that rows are exported to");
    fixture_done(&o.f);
}

/* ------------------------------------------------------------------ what is said of an instance that is gone */

TEST(cleanup_service, who_asks_for_an_instance_that_was_cleaned_up_is_told_so)
{
    old o;
    begin(&o, NULL);
    char *text = NULL, *fork = NULL;
    char *id = have_ended(&o);
    forward(&o, DAY + 1);
    expect_run(&o, 0, ".instances", "1");
    const pawl_act_options act = { .struct_size = sizeof act, .action = PAWL_COMPENSATE, .id = id, .reason = "why not" };
    EXPECT_INT(pawl_act(o.f.p, &act, NULL, NULL, &o.f.err), PAWL_NOT_FOUND);
    EXPECT_INT(o.f.err.reason, PAWL_REASON_CLEANED);
    EXPECT_CONTAINS(o.f.err.message, "is completed, and was cleaned up at 2027-01-16T08:00:00.001Z: only its log is left");
    EXPECT_INT(pawl_output(o.f.p, id, &text, &o.f.err), PAWL_NOT_FOUND);
    EXPECT_INT(o.f.err.reason, PAWL_REASON_CLEANED);
    EXPECT_INT(pawl_compensation(o.f.p, id, NULL, 0, &text, &o.f.err), PAWL_NOT_FOUND);
    EXPECT_INT(o.f.err.reason, PAWL_REASON_CLEANED);
    EXPECT_INT(pawl_fork(o.f.p, &(pawl_fork_options){ .struct_size = sizeof(pawl_fork_options), .id = id, .step = 1 }, NULL,
                         &fork, &o.f.err),
               PAWL_NOT_FOUND);
    EXPECT_INT(o.f.err.reason, PAWL_REASON_CLEANED);
    pawl_free(finish(&o.f, id)); /* who waits for its end need not wait */
    EXPECT_OK(pawl_delete(o.f.p, id, NULL, &o.f.err), o.f.err);
    expect_all(&o, "\"[0,0]\"");
    pawl_free(id);
    fixture_done(&o.f);
}

TEST(cleanup_service, a_business_key_finds_its_instance_as_long_as_its_log_is_there)
{
    old o;
    begin(&o, NULL);
    int existed = 9;
    char *id = start_key(&o.f, "work", "order-7", "{\"n\":1}", &existed);
    pawl_free(finish(&o.f, id));
    forward(&o, DAY + 1);
    expect_run(&o, 0, ".instances", "1");
    char *again = start_key(&o.f, "work", "order-7", "{\"n\":1}", &existed);
    EXPECT_INT(existed, 1);
    EXPECT_TEXT(again, id);
    pawl_free(again);
    again = NULL;
    const pawl_start_options other = { .struct_size = sizeof other, .name = "work", .key = "order-7", .input = "{\"n\":2}" };
    EXPECT_INT(pawl_start(o.f.p, &other, &again, &existed, &o.f.err), PAWL_CONFLICT);
    EXPECT_INT(o.f.err.reason, PAWL_REASON_KEY_USED);
    forward(&o, 3 * DAY);
    expect_run(&o, 0, ".steps", "1");
    again = start_key(&o.f, "work", "order-7", "{\"n\":2}", &existed);
    EXPECT_INT(existed, 0);
    pawl_free(again);
    pawl_free(id);
    fixture_done(&o.f);
}

/* ------------------------------------------------------------------ circuit breakers */

TEST(cleanup_service, breakers_that_were_closed_long_ago_are_forgotten_when_the_store_is_opened)
{
    old o;
    begin(&o, NULL);
    EXPECT_OK(pawl_breaker_force(o.f.p, "http://a", "open", NULL, NULL, NULL, &o.f.err), o.f.err);
    EXPECT_OK(pawl_breaker_force(o.f.p, "http://b", "open", NULL, NULL, NULL, &o.f.err), o.f.err);
    EXPECT_OK(pawl_breaker_force(o.f.p, "http://a", "auto", NULL, NULL, NULL, &o.f.err), o.f.err);
    forward(&o, DAY);
    EXPECT_OK(pawl_breaker_force(o.f.p, "http://c", "open", NULL, NULL, NULL, &o.f.err), o.f.err);
    EXPECT_OK(pawl_breaker_force(o.f.p, "http://c", "auto", NULL, NULL, NULL, &o.f.err), o.f.err);
    fixture_close(&o.f);
    forward(&o, 1);
    o.f.options.services_off = PAWL_SERVICE_CLEANUP;
    fixture_open(&o.f);
    char *text = NULL;
    EXPECT_OK(pawl_breakers(o.f.p, 1, &text, &o.f.err), o.f.err);
    EXPECT_ASK(text, "[.breakers[].service] | sort | tojson", "\"[\\\"http://a\\\",\\\"http://b\\\",\\\"http://c\\\"]\"");
    pawl_free(text);
    fixture_close(&o.f);
    o.f.options.services_off = 0;
    fixture_open(&o.f);
    EXPECT_OK(pawl_breakers(o.f.p, 1, &text, &o.f.err), o.f.err);
    EXPECT_ASK(text, "[.breakers[].service] | sort | tojson", "\"[\\\"http://b\\\",\\\"http://c\\\"]\"");
    pawl_free(text);
    fixture_done(&o.f);
}

TEST_MAIN()
