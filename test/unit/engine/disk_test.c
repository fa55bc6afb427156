/* disk_test.c - the disk of the store has little room, or none: nothing begins, then nothing moves; nothing is lost, and it all
 * goes on by itself. */
#include <limits.h>
#include "trouble.h"
#include "engine/disk.h"

#define MIB (UINT64_C(1) << 20)
enum { LOW_MIB = 100, FULL_MIB = 50 };

/* An engine that is told how much is free: at first enough. */
static void open_disk(trouble *t)
{
    trouble_init(t, NULL);
    t->f.options.disk_low = LOW_MIB * MIB;
    t->f.options.disk_full = FULL_MIB * MIB;
    trouble_open(t);
}

static void have_free(trouble *t, uint64_t mib)
{
    pw_disk_pretend(t->f.p->disk, mib * MIB);
    EXPECT_OK(pw_disk_look(t->f.p->disk, pw_monotonic_ns() + WAIT_MS * 1000000ull, &t->f.err), t->f.err);
}

static const char *ask_disk(trouble *t, const char *none, const char *expression)
{
    char text[16];
    (void)none;
    (void)snprintf(text, sizeof text, "\"%s\"", pw_disk_state_name(pw_disk_state_of(t->f.p)));
    return ask(text, expression);
}

static void expect_state(trouble *t, const char *expected)
{
    EXPECT_TEXT(pw_disk_state_name(pw_disk_state_of(t->f.p)), expected);
}

static pawl_code try_start(trouble *t, const char *name, char **id)
{
    const pawl_start_options options = { .struct_size = sizeof options, .name = name };
    return pawl_start(t->f.p, &options, id, NULL, &t->f.err);
}

static void expect_refused(trouble *t, pawl_code code)
{
    EXPECT_INT(code, PAWL_BUSY);
    EXPECT_INT(t->f.err.reason, PAWL_REASON_DISK_LOW);
    EXPECT_CONTAINS(t->f.err.message, "the disk of the store");
}

TEST(disk_marks, what_is_left_is_left_only_above_the_mark_and_a_tenth)
{
    const pw_disk_marks marks = { .low = 1000, .full = 100 };
    static const struct {
        pw_disk_state before;
        uint64_t free;
        pw_disk_state after;
    } cases[] = {
        { PW_DISK_OK, 1000, PW_DISK_OK },     { PW_DISK_OK, 999, PW_DISK_LOW },    { PW_DISK_LOW, 1099, PW_DISK_LOW },
        { PW_DISK_LOW, 1100, PW_DISK_OK },    { PW_DISK_LOW, 100, PW_DISK_LOW },   { PW_DISK_LOW, 99, PW_DISK_FULL },
        { PW_DISK_OK, 0, PW_DISK_FULL },      { PW_DISK_FULL, 109, PW_DISK_FULL }, { PW_DISK_FULL, 110, PW_DISK_LOW },
        { PW_DISK_FULL, 1099, PW_DISK_LOW },  { PW_DISK_FULL, 1100, PW_DISK_OK },  { PW_DISK_FULL, UINT64_MAX, PW_DISK_OK },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        EXPECT_INT(pw_disk_judge(&marks, cases[i].before, cases[i].free), cases[i].after);
    const pw_disk_marks none = { 0 };
    EXPECT_INT(pw_disk_judge(&none, PW_DISK_OK, 0), PW_DISK_OK);
    const pw_disk_marks all = { .low = UINT64_MAX - 1 };
    EXPECT_INT(pw_disk_judge(&all, PW_DISK_LOW, UINT64_MAX - 1), PW_DISK_LOW);
}

TEST(disk_marks, below_the_first_nothing_is_started_and_what_runs_is_finished)
{
    trouble t;
    open_disk(&t);
    deploy(&t.f, "ask", "  - ask: {call: userTask, with: {key: ok}}\n  - sleep: {wait: {seconds: 5}}\n"
                        "  - more: {run: {workflow: {namespace: test, name: child, version: 1.0.0}}}");
    deploy(&t.f, "child", "  - work: {call: echo, with: {n: 1}}");
    char *id = start(&t.f, "ask", NULL), *refused = NULL;
    have_free(&t, LOW_MIB - 1);
    expect_state(&t, "low");
    expect_refused(&t, try_start(&t, "ask", &refused));
    EXPECT(refused == NULL);
    EXPECT_OK(pawl_resume(t.f.p, id, "ok", NULL, NULL, &t.f.err), t.f.err);
    forward(&t, 5000);
    char *text = finish(&t.f, id); /* its child was started too */
    EXPECT_ASK(text, "[.status, .output.n]", "[\"completed\",1]");
    pawl_free(text);
    have_free(&t, LOW_MIB + LOW_MIB / 10);
    expect_state(&t, "ok");
    char *later = start(&t.f, "ask", NULL);
    pawl_free(later);
    pawl_free(id);
    trouble_done(&t);
}

TEST(disk_marks, below_the_first_a_schedule_waits)
{
    trouble t;
    open_disk(&t);
    deploy_text(&t, "tick", "schedule: {every: {seconds: 60}}\ndo: [{note: {set: {n: 1}}}]");
    static const char count[] = "SELECT count(*) FROM instance WHERE schedule = 0";
    EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
    forward(&t, 60000);
    EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
    EXPECT_TEXT(ask_file(&t, count), "1");
    have_free(&t, LOW_MIB - 1);
    forward(&t, 60000);
    EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
    EXPECT_TEXT(ask_file(&t, count), "1");
    have_free(&t, 10 * LOW_MIB);
    EXPECT_OK(pawl_drain(t.f.p, WAIT_MS, &t.f.err), t.f.err);
    EXPECT_TEXT(ask_file(&t, count), "2");
    trouble_done(&t);
}

TEST(disk_marks, below_the_second_everything_pauses_and_goes_on_by_itself)
{
    trouble t;
    open_disk(&t);
    service_on(t.s, "/pay", (service_answer){ .hold = true, .headers = "Content-Type: application/json\r\n", .body = "{\"paid\":1}" });
    deploy_call(&t, "pay", "/pay", NULL);
    deploy(&t.f, "gated", "  - work: {call: gate, with: {}}");
    deploy(&t.f, "nap", "  - nap: {wait: {seconds: 5}}");
    deploy(&t.f, "ask", "  - ask: {call: userTask, with: {key: ok}}");
    deploy(&t.f, "hear", "  - hear: {listen: {to: {one: {with: {type: paid}}}}}");
    char *ids[] = { start(&t.f, "pay", NULL), start(&t.f, "gated", NULL), start(&t.f, "nap", NULL), start(&t.f, "ask", NULL),
                    start(&t.f, "hear", NULL) };
    service_wait_held(t.s, 1);
    gate_wait_entered(&t.f.gate, 1);
    pw_store_counts before, after;
    have_free(&t, FULL_MIB - 1);
    expect_state(&t, "full");
    pw_store_count(t.f.p->store, &before);
    gate_open(&t.f.gate, 1); /* answers come, and a timer is due */
    service_release(t.s, 1);
    forward(&t, 5000);
    expect_refused(&t, pawl_resume(t.f.p, ids[3], "ok", NULL, NULL, &t.f.err));
    expect_refused(&t, pawl_cancel(t.f.p, ids[3], NULL, NULL, &t.f.err));
    expect_refused(&t, pawl_publish(t.f.p, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"paid\"}", NULL, NULL,
                                    &t.f.err));
    expect_refused(&t, pawl_deploy(t.f.p, "x", 1, NULL, NULL, NULL, &t.f.err));
    EXPECT_INT(pawl_wait(t.f.p, ids[0], PAWL_WAIT_END, 10, NULL, &t.f.err), PAWL_TIMEOUT);
    EXPECT_INT(pawl_wait(t.f.p, ids[2], PAWL_WAIT_END, 10, NULL, &t.f.err), PAWL_TIMEOUT);
    have_free(&t, FULL_MIB - 2);
    pw_store_count(t.f.p->store, &after);
    EXPECT_INT(after.items, before.items);
    EXPECT_SHOW(&t, ids[2], ".status", "\"waiting\"");
    have_free(&t, FULL_MIB + FULL_MIB / 10); /* low yet: but these run */
    expect_state(&t, "low");
    for (size_t i = 0; i < 3; i++) /* nobody asks for them */
        until_same(&t, ask_show, ids[i], ".status", "\"completed\"");
    EXPECT_OK(pawl_publish(t.f.p, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"paid\"}", NULL, NULL, &t.f.err),
              t.f.err);
    EXPECT_OK(pawl_resume(t.f.p, ids[3], "ok", NULL, NULL, &t.f.err), t.f.err);
    for (size_t i = 0; i < PW_LENGTH(ids); i++) {
        char *text = finish(&t.f, ids[i]);
        EXPECT_ASK(text, ".status", "\"completed\"");
        pawl_free(text);
        pawl_free(ids[i]);
    }
    EXPECT_INT(service_requests(t.s), 1);
    EXPECT_INT(gate_entered(&t.f.gate), 1);
    trouble_done(&t);
}

TEST(disk_marks, a_commit_that_meets_a_full_disk_is_made_when_there_is_room)
{
    trouble t;
    open_disk(&t);
    deploy(&t.f, "gated", "  - work: {call: gate, with: {}}");
    char *id = start(&t.f, "gated", NULL);
    gate_wait_entered(&t.f.gate, 1);
    pw_disk_pretend(t.f.p->disk, (FULL_MIB - 1) * MIB); /* and nobody looks, until the commit has failed */
    fill_disk(true);
    gate_open(&t.f.gate, 1);
    until_same(&t, ask_disk, NULL, ".", "\"full\"");
    fill_disk(false); /* it would succeed now, but is not tried */
    EXPECT(pawl_wait(t.f.p, id, PAWL_WAIT_END, 1500, NULL, &t.f.err) != PAWL_OK);
    EXPECT_SHOW(&t, id, "[.status, .token]", "[\"waiting\",1]");
    have_free(&t, 10 * LOW_MIB);
    pawl_code code;
    while ((code = pawl_wait(t.f.p, id, PAWL_WAIT_END, WAIT_MS, NULL, &t.f.err)) == PAWL_IO)
        EXPECT_INT(t.f.err.reason, PAWL_REASON_DISK_LOW);
    EXPECT_INT(code, PAWL_OK);
    EXPECT_SHOW(&t, id, "[.status, .token]", "[\"completed\",2]");
    EXPECT_INT(gate_entered(&t.f.gate), 1);
    pawl_free(id);
    trouble_done(&t);
}

TEST(disk_marks, opened_on_a_full_disk_it_waits_and_closes)
{
    trouble t;
    open_disk(&t);
    deploy(&t.f, "gated", "  - work: {call: gate, with: {}}");
    deploy(&t.f, "nap", "  - nap: {wait: {seconds: 5}}");
    deploy(&t.f, "ask", "  - ask: {call: userTask, with: {key: ok}}");
    char *gated = start(&t.f, "gated", NULL), *nap = start(&t.f, "nap", NULL), *asked = start(&t.f, "ask", NULL);
    gate_wait_entered(&t.f.gate, 1);
    const pw_inbox_row letter = { .target = pw_str_of(asked),
                                  .key = PW_LIT("m1"),
                                  .kind = PW_LIT("resume"),
                                  .payload = PW_LIT("{\"key\":\"ok\"}"),
                                  .actor = PW_LIT("sql"),
                                  .created_ms = 1 };
    EXPECT_OK(pw_store_inbox_put(t.f.p->store, &letter, &t.f.err), t.f.err);
    fixture_close(&t.f);
    fixture_clock(&t.f, TIME0 + 5000);
    t.f.options.disk_low = t.f.options.disk_full = UINT64_MAX - 1; /* no disk has so much: by the real look */
    trouble_open(&t);
    expect_state(&t, "full");
    EXPECT_INT(pawl_drain(t.f.p, 50, &t.f.err), PAWL_TIMEOUT);
    EXPECT_SHOW(&t, nap, ".status", "\"waiting\"");
    EXPECT_INT(gate_entered(&t.f.gate), 1);
    EXPECT_INT(pawl_delete(t.f.p, nap, NULL, &t.f.err), PAWL_STATE); /* who gives space back is not refused */
    fixture_close(&t.f);
    t.f.options.disk_low = t.f.options.disk_full = UINT64_MAX; /* not looked at */
    trouble_open(&t);
    EXPECT(t.f.p->disk == NULL);
    gate_open(&t.f.gate, UINT_MAX);
    pawl_free(finish(&t.f, gated));
    pawl_free(finish(&t.f, nap));
    pawl_free(finish(&t.f, asked));
    pawl_free(asked);
    pawl_free(gated);
    pawl_free(nap);
    trouble_done(&t);
}

TEST(disk_marks, the_defaults_are_a_share_of_a_small_disk)
{
    static const struct {
        pw_disk_marks given;
        uint64_t disk_bytes;
        pw_disk_marks marks;
    } cases[] = {
        { { 0, 0 }, UINT64_MAX, { 512 * MIB, 64 * MIB } },
        { { 0, 0 }, 5120 * MIB, { 512 * MIB, 64 * MIB } },
        { { 0, 0 }, 100 * MIB, { 10 * MIB, 2 * MIB } },
        { { 50 * MIB, 0 }, 100 * MIB, { 50 * MIB, 2 * MIB } },
        { { MIB, 0 }, UINT64_MAX, { MIB, MIB } },
        { { UINT64_MAX, 7 * MIB }, 100 * MIB, { 0, 7 * MIB } },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pw_disk_marks marks;
        pawl_error err;
        EXPECT_OK(pw_disk_marks_read(&marks, &cases[i].given, cases[i].disk_bytes, &err), err);
        EXPECT_INT(marks.low, cases[i].marks.low);
        EXPECT_INT(marks.full, cases[i].marks.full);
    }
}

TEST(disk_marks, marks_that_make_no_sense_are_refused)
{
    fixture f;
    fixture_init(&f, NULL);
    f.options.disk_low = 10 * MIB;
    f.options.disk_full = 20 * MIB;
    EXPECT_INT(pawl_open(&f.p, &f.options, &f.err), PAWL_INVALID);
    EXPECT_TEXT(f.err.message, "options: disk_full must be at most disk_low, 10485760, not 20971520");
    fixture_done(&f);
}

TEST(disk_marks, a_store_in_memory_has_nothing_to_watch)
{
    fixture f;
    fixture_init(&f, "memory:");
    f.options.disk_low = f.options.disk_full = UINT64_MAX - 1;
    fixture_open(&f);
    EXPECT(f.p->disk == NULL);
    pw_service_state state;
    pw_service_look(&f.p->services[PW_SERVICE_DISK], &state);
    EXPECT(!state.enabled);
    deploy(&f, "quick", "  - done: {set: {n: 1}}");
    pawl_free(start(&f, "quick", NULL));
    fixture_done(&f);
}

TEST_MAIN()
