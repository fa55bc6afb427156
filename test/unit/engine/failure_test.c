/* failure_test.c - the store fails: nobody is told of success that is not committed, nothing is
 * lost, nothing is done twice. */
#include <limits.h>
#include <sqlite3.h>
#include "fixture.h"
#include "store/memory/memory.h"

static const char approval[] = "  - ask: {call: userTask, with: {key: ok}}";
static const char gated[] = "  - work: {call: gate, with: {}}";

TEST(failure, a_commit_that_failed_is_made_again_without_the_caller_seeing_it)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    pw_memory_fail_commit(f.p->store, 1, false);
    char *id = start(&f, "ask", NULL);
    pw_memory_fail_commit(f.p->store, 1, false);
    EXPECT_OK(pawl_resume(f.p, id, "ok", "{\"n\":1}", NULL, &f.err), f.err);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .token, .output.n]", "[\"completed\",2,1]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

TEST(failure, a_commit_that_took_place_unnoticed_is_not_made_twice)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "gated", gated);
    pw_memory_fail_commit(f.p->store, 1, true);
    int existed = -1;
    char *id = start_key(&f, "gated", "k", NULL, &existed);
    EXPECT_INT(existed, 0);
    gate_wait_entered(&f.gate, 1);
    pw_memory_fail_commit(f.p->store, 1, true);
    gate_open(&f.gate, 1);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .token, .output.attempt]", "[\"completed\",2,1]");
    EXPECT_INT(gate_entered(&f.gate), 1);
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

/* The first instance has ended in its first step, in the same millisecond, and has left memory: its
 * step has all that the second start's would have, but the nonce. */
TEST(failure, a_start_repeated_at_once_is_not_taken_for_the_first_when_its_commit_fails)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_clock(&f, 5000);
    fixture_open(&f);
    deploy(&f, "quick", "  - done: {set: {n: 1}}");
    int existed = -1;
    char *id = start_key(&f, "quick", "k", NULL, &existed);
    EXPECT_INT(existed, 0);
    pawl_free(finish(&f, id));
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    pw_memory_fail_commit(f.p->store, 1, false);
    char *again = start_key(&f, "quick", "k", NULL, &existed);
    EXPECT_TEXT(again, id);
    EXPECT_INT(existed, 1);
    pawl_free(again);
    pawl_free(id);
    fixture_done(&f);
}

TEST(failure, a_full_disk_is_told_to_callers_and_what_was_in_flight_goes_on_later)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "gated", gated);
    deploy(&f, "ask", approval);
    char *id = start(&f, "gated", NULL);
    gate_wait_entered(&f.gate, 1);
    fill_disk(true);
    char *refused = NULL;
    const pawl_start_options options = { .struct_size = sizeof options, .name = "ask", .key = "k" };
    pawl_code code = pawl_start(f.p, &options, &refused, NULL, &f.err);
    gate_open(&f.gate, 1); /* its result cannot be committed now */
    pawl_error waited = { .code = PAWL_OK }, drained = { .code = PAWL_OK };
    pawl_code wait_code = pawl_wait(f.p, id, PAWL_WAIT_END, WAIT_MS, NULL, &waited);
    pawl_code drain_code = pawl_drain(f.p, WAIT_MS, &drained);
    fill_disk(false);
    EXPECT_INT(code, PAWL_IO);
    EXPECT(refused == NULL);
    EXPECT_INT(wait_code, PAWL_IO);
    EXPECT_INT(drain_code, PAWL_IO);
    EXPECT_CONTAINS(f.err.message, "pawl.db");
    /* the disk has room again: the result is committed, and the refused start never took place */
    char *text = NULL;
    while ((code = pawl_wait(f.p, id, PAWL_WAIT_END, WAIT_MS, &text, &f.err)) == PAWL_IO)
        ;
    EXPECT_INT(code, PAWL_OK);
    EXPECT_ASK(text, "[.status, .token, .output.attempt]", "[\"completed\",2,1]");
    pawl_free(text);
    int existed = -1;
    char *again = start_key(&f, "ask", "k", NULL, &existed);
    EXPECT_INT(existed, 0);
    pawl_free(again);
    pawl_free(id);
    fixture_done(&f);
}

TEST(failure, an_engine_whose_store_fails_can_be_closed_and_the_next_goes_on)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "gated", gated);
    char *id = start(&f, "gated", NULL);
    gate_wait_entered(&f.gate, 1);
    fill_disk(true);
    gate_open(&f.gate, 1);
    pawl_code code = pawl_wait(f.p, id, PAWL_WAIT_END, WAIT_MS, NULL, &f.err);
    fixture_close(&f);
    fill_disk(false);
    EXPECT_INT(code, PAWL_IO);
    gate_open(&f.gate, UINT_MAX);
    fixture_open(&f);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output.attempt]", "[\"completed\",2]");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

static bool had_no_memory(const char *shown)
{
    return strcmp(ask(shown, ".status == \"faulted\" and (.error | tojson | test(\"memory\"))"),
                  "true") == 0;
}

/* Whatever allocation fails: an answer, and afterwards everything works. */
TEST(failure, running_out_of_memory_loses_nothing)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "mixed",
           "  - work: {call: echo, with: {n: 1}}\n"
           "  - ask: {call: userTask, with: {key: ok}}\n"
           "  - more: {call: echo, with: {n: 2}}");
    unsigned refused = 0, completed = 0;
    for (unsigned nth = 1; nth < 150; nth++) {
        char key[16], *id = NULL;
        (void)snprintf(key, sizeof key, "k%u", nth);
        const pawl_start_options options = { .struct_size = sizeof options,
                                             .name = "mixed",
                                             .key = key };
        pw_alloc_fail_after(nth);
        pawl_code code = pawl_start(f.p, &options, &id, NULL, &f.err);
        pw_alloc_fail_after(0);
        EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY);
        refused += code != PAWL_OK;
        if (code != PAWL_OK)
            id = start_key(&f, "mixed", key, NULL, NULL);
        char *text = NULL;
        EXPECT_OK(pawl_wait(f.p, id, PAWL_WAIT_SETTLED, WAIT_MS, &text, &f.err), f.err);
        if (had_no_memory(text)) { /* the function, for its result */
            pawl_free(text);
            pawl_free(id);
            continue;
        }
        EXPECT_ASK(text, ".status", "\"waiting\"");
        pawl_free(text);
        pw_alloc_fail_after(nth);
        code = pawl_resume(f.p, id, "ok", "{}", NULL, &f.err);
        pw_alloc_fail_after(0);
        if (code != PAWL_OK && code != PAWL_NO_MEMORY)
            fail_msg("%d: %s", (int)code, f.err.message);
        EXPECT_OK(pawl_resume(f.p, id, "ok", "{}", NULL, &f.err), f.err);
        text = finish(&f, id);
        if (!had_no_memory(text))
            EXPECT_ASK(text, "[.status, .output.n]", "[\"completed\",2]");
        completed += strcmp(ask(text, ".status"), "\"completed\"") == 0;
        pawl_free(text);
        pawl_free(id);
    }
    EXPECT(completed > 20);
    EXPECT(refused > 10);
    fixture_done(&f);
}

TEST(failure, opening_without_memory_fails_cleanly)
{
    fixture f;
    fixture_init(&f, "memory:");
    pawl_code code = PAWL_NO_MEMORY;
    for (unsigned nth = 1; code != PAWL_OK && nth < 500; nth++) {
        pw_alloc_fail_after(nth);
        code = pawl_open(&f.p, &f.options, &f.err);
        pw_alloc_fail_after(0);
        EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY);
        EXPECT((code == PAWL_OK) == (f.p != NULL));
    }
    EXPECT_INT(code, PAWL_OK);
    fixture_done(&f);
}

/* A step that somebody else writes, with the same state. */
static void write_step_behind(fixture *f, const char *id)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_instance_row row;
    EXPECT_OK(pw_store_instance_get(f->p->store, pw_str_of(id), true, &row, &arena, &f->err),
              f->err);
    const pw_transition t = { .changed = true,
                              .status = row.status,
                              .state_text = row.state,
                              .wake_at = row.wake_at,
                              .timer_at = PW_WAKE_NEVER,
                              .entries = PW_LIT("[]") };
    pw_commit_item item = { .instance = row.id,
                            .token = row.token,
                            .transition = &t,
                            .event = PW_EVENT_DRIVE,
                            .now_ms = row.updated_ms };
    EXPECT_OK(pw_store_commit(f->p->store, &item, 1, &f->err), f->err);
    EXPECT_INT(item.code, PAWL_OK);
    pw_arena_done(&arena);
}

TEST(failure, an_instance_that_changed_behind_the_engine_is_read_again)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "ask", approval);
    deploy(&f, "gated", gated);
    char *id = start(&f, "ask", NULL), *busy = start(&f, "gated", NULL);
    gate_wait_entered(&f.gate, 1);
    write_step_behind(&f, id);
    write_step_behind(&f, busy);
    EXPECT_OK(pawl_resume(f.p, id, "ok", "{\"n\":1}", NULL, &f.err), f.err);
    gate_open(&f.gate, 1);
    char *text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .token, .output.n]", "[\"completed\",3,1]");
    pawl_free(text);
    text = finish(&f, busy); /* its result was not lost, and it ran once */
    EXPECT_ASK(text, "[.status, .token, .output.attempt]", "[\"completed\",3,1]");
    EXPECT_INT(gate_entered(&f.gate), 1);
    pawl_free(text);
    pawl_free(id);
    pawl_free(busy);
    fixture_done(&f);
}

static void damage(const char *path, const char *id)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *update = NULL;
    EXPECT_INT(sqlite3_open(path, &db), SQLITE_OK);
    EXPECT_INT(sqlite3_prepare_v2(db, "UPDATE instance SET state = '{}', wake_at = 0 WHERE id = ?1",
                                  -1, &update, NULL),
               SQLITE_OK);
    EXPECT_INT(sqlite3_bind_text(update, 1, id, -1, SQLITE_STATIC), SQLITE_OK);
    EXPECT_INT(sqlite3_step(update), SQLITE_DONE);
    EXPECT_INT(sqlite3_changes(db), 1);
    EXPECT_INT(sqlite3_finalize(update), SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
}

TEST(failure, an_instance_whose_state_cannot_be_read_says_so_and_others_go_on)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "ask", approval);
    char *id = start(&f, "ask", NULL), *good = start(&f, "ask", NULL);
    fixture_close(&f);
    damage(f.store, id);
    fixture_open(&f);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    EXPECT_INT(pawl_wait(f.p, id, PAWL_WAIT_END, WAIT_MS, NULL, &f.err), PAWL_CORRUPT);
    EXPECT_INT(pawl_resume(f.p, id, "ok", NULL, NULL, &f.err), PAWL_CORRUPT);
    char *text = show(&f, id);
    EXPECT_ASK(text, "[.waits[].kind] | unique", "[\"trouble\"]");
    EXPECT_ASK(text, ".waits[0].reason | contains(\"stored state\")", "true");
    pawl_free(text);
    EXPECT_OK(pawl_resume(f.p, good, "ok", NULL, NULL, &f.err), f.err);
    text = finish(&f, good);
    EXPECT_ASK(text, ".status", "\"completed\"");
    pawl_free(text);
    pawl_free(id);
    pawl_free(good);
    fixture_done(&f);
}

TEST_MAIN()
