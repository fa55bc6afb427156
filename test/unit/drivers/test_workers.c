/* test_workers.c - the board alone: the test is the clock, the owner of all instances, and who
 * polls. */
#include <stdio.h>
#include <stdlib.h>
#include "test.h"
#include "drivers/workers.h"

#define MS 1000000ull

typedef struct fixture {
    pw_board *board;
    uint64_t now_ns;
    pw_ticket *wishes[4096];
    size_t wish_count;
    pw_poll *told[4096];
    size_t told_count;
    size_t sooner;
    pawl_error err;
} fixture;

static uint64_t now_ns(void *context)
{
    return ((fixture *)context)->now_ns;
}

static void on_wish(void *context, pw_ticket *ticket)
{
    fixture *f = context;
    EXPECT(f->wish_count < PW_LENGTH(f->wishes));
    f->wishes[f->wish_count++] = ticket;
}

static void on_poll(void *context, pw_poll *poll)
{
    fixture *f = context;
    EXPECT(f->told_count < PW_LENGTH(f->told));
    f->told[f->told_count++] = poll;
}

static void on_sooner(void *context)
{
    ((fixture *)context)->sooner++;
}

static fixture *fixture_new(void)
{
    fixture *f = pw_zalloc(sizeof *f);
    f->now_ns = 1000 * MS;
    const pw_board_hooks hooks = { f, now_ns, on_wish, on_poll, on_sooner };
    EXPECT_OK(pw_board_new(&f->board, &hooks, &f->err), f->err);
    return f;
}

static void fixture_free(fixture *f)
{
    pw_board_free(f->board); /* it asserts that nothing is left */
    pw_free(f);
}

static pw_str id_of(char out[27], unsigned n)
{
    (void)snprintf(out, 27, "i%025u", n);
    return (pw_str){ out, 26 };
}

typedef struct job {
    unsigned instance;
    uint32_t attempt;
    const char *function, *namespace_;
    int32_t priority;
    pw_put how;
    uint64_t delay_ms;
} job;

static void put(fixture *f, job j)
{
    char id[27];
    const pw_ticket_about about = { .instance = id_of(id, j.instance),
                                    .table = j.instance % PW_BOARD_TABLES,
                                    .visit = 1,
                                    .attempt = j.attempt ? j.attempt : 1,
                                    .function = pw_str_of(j.function ? j.function : "pack"),
                                    .namespace_ = pw_str_of(j.namespace_ ? j.namespace_ : "test"),
                                    .task = PW_LIT("/do/0/pack"),
                                    .priority = j.priority,
                                    .since_ms = (int64_t)(f->now_ns / MS) };
    pw_ticket *t = pw_ticket_new(f->board, &about);
    EXPECT(t != NULL);
    pw_board_put(f->board, t, j.how, j.delay_ms);
}

typedef struct request {
    const char *function; /* "pack" */
    const char *namespaces[3];
    uint32_t max;      /* 1 */
    uint64_t wait_ms;  /* 10000 */
    uint64_t lease_ms; /* 1000 */
} request;

static void open_poll(fixture *f, pw_poll *poll, request r)
{
    const pw_str function = pw_str_of(r.function ? r.function : "pack");
    pw_str namespaces[3];
    size_t count = 0;
    for (; count < 3 && r.namespaces[count]; count++)
        namespaces[count] = pw_str_of(r.namespaces[count]);
    const pw_poll_about about = { .functions = &function,
                                  .function_count = 1,
                                  .namespaces = count ? namespaces : NULL,
                                  .namespace_count = count,
                                  .max = r.max ? r.max : 1,
                                  .wait_ms = r.wait_ms ? r.wait_ms : 10000,
                                  .lease_ms = r.lease_ms ? r.lease_ms : 1000,
                                  .worker = PW_LIT("w1") };
    EXPECT_OK(pw_poll_open(poll, f->board, &about, &f->err), f->err);
}

/* The oldest wish, which must be of that kind and instance. */
static pw_ticket *take_wish(fixture *f, pw_wish kind, unsigned instance)
{
    char id[27];
    EXPECT(f->wish_count > 0);
    pw_ticket *t = f->wishes[0];
    memmove(f->wishes, f->wishes + 1, --f->wish_count * sizeof *f->wishes);
    EXPECT_INT(t->wish, kind);
    (void)id_of(id, instance);
    EXPECT(memcmp(t->instance, id, 26) == 0);
    return t;
}

static void give(fixture *f, pw_ticket *t)
{
    char *text = pw_strdup(PW_LIT("{}"));
    pw_board_give(f->board, t, text, 2, 60000);
}

/* The poll that was told first: what it got, as "i1/1 i2/1"; it is closed. */
static const char *take_told(fixture *f, const pw_poll *expected)
{
    static char line[4096];
    size_t at = 0;
    EXPECT(f->told_count > 0);
    pw_poll *poll = f->told[0];
    memmove(f->told, f->told + 1, --f->told_count * sizeof *f->told);
    EXPECT(poll == expected);
    line[0] = '\0';
    for (const pw_given *g = poll->given; g; g = g->next) {
        char id[27];
        memcpy(id, g->instance, 26);
        id[26] = '\0';
        at += (size_t)snprintf(line + at, sizeof line - at, "%si%u/%u", at ? " " : "",
                               (unsigned)strtoul(id + 1, NULL, 10), g->attempt);
    }
    pw_poll_done(f->board, poll);
    return line;
}

static void pass(fixture *f, uint64_t ms)
{
    f->now_ns += ms * MS;
    (void)pw_board_work(f->board);
}

static void off(fixture *f, unsigned instance)
{
    char id[27];
    pw_board_take_off(f->board, id_of(id, instance), instance % PW_BOARD_TABLES, 1, 0);
}

static pw_there look(fixture *f, unsigned instance, uint32_t attempt)
{
    char id[27];
    return pw_board_look(f->board, id_of(id, instance), instance % PW_BOARD_TABLES, 1, attempt);
}

/* A poll that is given the job of this instance. */
static void hand_out(fixture *f, unsigned instance, request r)
{
    pw_poll poll = { 0 };
    char expected[32];
    open_poll(f, &poll, r);
    give(f, take_wish(f, PW_WISH_GIVE, instance));
    (void)snprintf(expected, sizeof expected, "i%u/1", instance);
    EXPECT_TEXT(take_told(f, &poll), expected);
}

/* "ready leased unsure parked polls" of a function. */
static const char *counts(fixture *f, const char *function)
{
    static char line[128];
    pw_arena arena;
    pw_function_row *rows = NULL;
    size_t count = 0;
    pw_arena_init(&arena, 0);
    EXPECT_OK(pw_board_functions(f->board, pw_str_of(function), &rows, &count, &arena, &f->err),
              f->err);
    (void)snprintf(line, sizeof line, "none");
    if (count == 1)
        (void)snprintf(line, sizeof line, "%llu %llu %llu %llu %llu",
                       (unsigned long long)rows[0].ready, (unsigned long long)rows[0].leased,
                       (unsigned long long)rows[0].unsure,
                       (unsigned long long)rows[0].parked, (unsigned long long)rows[0].polls);
    pw_arena_done(&arena);
    return line;
}

/* ------------------------------------------------------------------ who gets what */

TEST(board, a_job_that_waits_goes_to_the_first_poll)
{
    fixture *f = fixture_new();
    pw_poll poll = { 0 };
    put(f, (job){ 1 });
    EXPECT_TEXT(counts(f, "pack"), "1 0 0 0 0");
    EXPECT_INT(f->wish_count, 0);
    open_poll(f, &poll, (request){ 0 });
    EXPECT_TEXT(counts(f, "pack"), "0 1 0 0 0");
    EXPECT_INT(f->told_count, 0);
    give(f, take_wish(f, PW_WISH_GIVE, 1));
    EXPECT_TEXT(take_told(f, &poll), "i1/1");
    EXPECT_INT(look(f, 1, 1), PW_THERE_TAKEN);
    off(f, 1);
    EXPECT_TEXT(counts(f, "pack"), "none");
    fixture_free(f);
}

TEST(board, a_poll_that_waits_gets_the_first_job)
{
    fixture *f = fixture_new();
    pw_poll first = { 0 }, second = { 0 }, other = { 0 };
    open_poll(f, &other, (request){ .function = "film" });
    open_poll(f, &first, (request){ 0 });
    open_poll(f, &second, (request){ 0 });
    put(f, (job){ 1 });
    give(f, take_wish(f, PW_WISH_GIVE, 1));
    EXPECT_TEXT(take_told(f, &first), "i1/1");
    put(f, (job){ 2 });
    give(f, take_wish(f, PW_WISH_GIVE, 2));
    EXPECT_TEXT(take_told(f, &second), "i2/1");
    EXPECT_INT(f->told_count, 0);
    EXPECT(pw_poll_withdraw(f->board, &other));
    pw_poll_done(f->board, &other);
    fixture_free(f);
}

TEST(board, higher_priority_goes_first_and_then_who_came_first)
{
    fixture *f = fixture_new();
    static const int32_t priorities[] = { 0, 5, -1, 5, 0 };
    for (unsigned i = 0; i < PW_LENGTH(priorities); i++)
        put(f, (job){ .instance = i + 1, .priority = priorities[i] });
    static const unsigned order[] = { 2, 4, 1, 5, 3 };
    for (unsigned i = 0; i < PW_LENGTH(order); i++)
        hand_out(f, order[i], (request){ 0 });
    fixture_free(f);
}

TEST(board, a_poll_takes_as_many_as_it_wants_in_their_order)
{
    fixture *f = fixture_new();
    pw_poll poll = { 0 };
    for (unsigned i = 1; i <= 5; i++)
        put(f, (job){ i });
    open_poll(f, &poll, (request){ .max = 3 });
    EXPECT_INT(f->wish_count, 3);
    for (unsigned i = 1; i <= 3; i++)
        give(f, take_wish(f, PW_WISH_GIVE, i));
    EXPECT_TEXT(take_told(f, &poll), "i1/1 i2/1 i3/1");
    EXPECT_TEXT(counts(f, "pack"), "2 3 0 0 0");
    fixture_free(f);
}

TEST(board, a_poll_gets_only_what_its_namespaces_have)
{
    fixture *f = fixture_new();
    pw_poll poll = { 0 }, any = { 0 };
    put(f, (job){ .instance = 1, .namespace_ = "other", .priority = 9 });
    open_poll(f, &poll, (request){ .namespaces = { "test", "third" }, .max = 2 });
    EXPECT_INT(f->wish_count, 0);
    put(f, (job){ .instance = 2, .namespace_ = "third" });
    give(f, take_wish(f, PW_WISH_GIVE, 2));
    EXPECT_TEXT(take_told(f, &poll), "i2/1");
    open_poll(f, &any, (request){ 0 });
    give(f, take_wish(f, PW_WISH_GIVE, 1));
    EXPECT_TEXT(take_told(f, &any), "i1/1");
    fixture_free(f);
}

TEST(board, of_polls_with_and_without_namespaces_the_older_is_served)
{
    fixture *f = fixture_new();
    pw_poll narrow = { 0 }, any = { 0 };
    open_poll(f, &narrow, (request){ .namespaces = { "test" } });
    open_poll(f, &any, (request){ 0 });
    put(f, (job){ 1 });
    give(f, take_wish(f, PW_WISH_GIVE, 1));
    EXPECT_TEXT(take_told(f, &narrow), "i1/1");
    put(f, (job){ 2 });
    give(f, take_wish(f, PW_WISH_GIVE, 2));
    EXPECT_TEXT(take_told(f, &any), "i2/1");
    fixture_free(f);
}

/* ------------------------------------------------------------------ polls end */

TEST(board, a_poll_ends_with_nothing_when_its_time_is_over)
{
    fixture *f = fixture_new();
    pw_poll poll = { 0 };
    open_poll(f, &poll, (request){ .wait_ms = 500 });
    EXPECT_INT(f->sooner, 1);
    pass(f, 499);
    EXPECT_INT(f->told_count, 0);
    pass(f, 1);
    EXPECT_TEXT(take_told(f, &poll), "");
    EXPECT(pw_board_work(f->board) == PW_BOARD_NEVER);
    fixture_free(f);
}

TEST(board, a_poll_without_namespaces_left_gets_nothing)
{
    fixture *f = fixture_new();
    const pw_str function = PW_LIT("pack"), none = { "", 0 };
    const pw_poll_about about = { &function, 1, &none, 0, 1, 100, 1000, PW_LIT("w") };
    pw_poll poll = { 0 };
    put(f, (job){ 1 });
    EXPECT_OK(pw_poll_open(&poll, f->board, &about, &f->err), f->err);
    pass(f, 100);
    EXPECT_TEXT(take_told(f, &poll), "");
    fixture_free(f);
}

TEST(board, a_poll_that_goes_lets_what_it_asked_for_be_given_to_the_next)
{
    fixture *f = fixture_new();
    pw_poll gone = { 0 }, next = { 0 };
    put(f, (job){ 1 });
    open_poll(f, &gone, (request){ 0 });
    pw_ticket *t = take_wish(f, PW_WISH_GIVE, 1);
    EXPECT(pw_poll_withdraw(f->board, &gone));
    pw_poll_done(f->board, &gone);
    give(f, t);
    EXPECT_TEXT(counts(f, "pack"), "1 0 0 0 0");
    open_poll(f, &next, (request){ 0 });
    give(f, take_wish(f, PW_WISH_GIVE, 1));
    EXPECT_TEXT(take_told(f, &next), "i1/1");
    fixture_free(f);
}

TEST(board, jobs_of_which_nobody_hears_go_back_to_the_front)
{
    fixture *f = fixture_new();
    pw_poll poll = { 0 };
    put(f, (job){ 1 });
    put(f, (job){ 2 });
    open_poll(f, &poll, (request){ 0 });
    give(f, take_wish(f, PW_WISH_GIVE, 1));
    EXPECT(!pw_poll_withdraw(f->board, &poll));
    pw_poll_return(f->board, &poll);
    EXPECT_TEXT(take_told(f, &poll), "");
    EXPECT_TEXT(counts(f, "pack"), "2 0 0 0 0");
    hand_out(f, 1, (request){ 0 });
    fixture_free(f);
}

TEST(board, a_poll_that_goes_half_served_leaves_everything_to_the_next)
{
    fixture *f = fixture_new();
    pw_poll gone = { 0 };
    put(f, (job){ 1 });
    put(f, (job){ 2 });
    open_poll(f, &gone, (request){ .max = 2 });
    give(f, take_wish(f, PW_WISH_GIVE, 1));
    pw_ticket *late = take_wish(f, PW_WISH_GIVE, 2);
    EXPECT(pw_poll_withdraw(f->board, &gone));
    pw_poll_done(f->board, &gone);
    EXPECT_TEXT(counts(f, "pack"), "1 1 0 0 0");
    give(f, late);
    EXPECT_TEXT(counts(f, "pack"), "2 0 0 0 0");
    EXPECT_INT(f->told_count, 0);
    fixture_free(f);
}

TEST(board, a_poll_is_told_what_it_has_when_an_owner_does_not_answer)
{
    fixture *f = fixture_new();
    pw_poll poll = { 0 };
    put(f, (job){ 1 });
    put(f, (job){ 2 });
    open_poll(f, &poll, (request){ .max = 2, .wait_ms = 100, .lease_ms = 20000 });
    give(f, take_wish(f, PW_WISH_GIVE, 1));
    pw_ticket *late = take_wish(f, PW_WISH_GIVE, 2);
    pass(f, 4999);
    EXPECT_INT(f->told_count, 0);
    pass(f, 1);
    EXPECT_TEXT(take_told(f, &poll), "i1/1");
    give(f, late);
    EXPECT_TEXT(counts(f, "pack"), "1 1 0 0 0");
    fixture_free(f);
}

TEST(board, when_it_stops_every_poll_is_told_and_nothing_is_handed_out)
{
    fixture *f = fixture_new();
    pw_poll polls[3] = { 0 };
    for (size_t i = 0; i < 3; i++)
        open_poll(f, &polls[i], (request){ .wait_ms = 1000 + i });
    pw_board_stop(f->board);
    EXPECT_INT(f->told_count, 3);
    put(f, (job){ 1 });
    EXPECT_INT(f->wish_count, 0);
    while (f->told_count > 0) {
        EXPECT(f->told[0]->stopped);
        (void)take_told(f, f->told[0]);
    }
    const pw_str function = PW_LIT("pack");
    const pw_poll_about about = { &function, 1, NULL, 0, 1, 100, 1000, PW_LIT("w") };
    EXPECT_INT(pw_poll_open(&polls[0], f->board, &about, &f->err), PAWL_BUSY);
    fixture_free(f);
}

/* ------------------------------------------------------------------ owners */

TEST(board, what_the_owner_does_not_want_goes_and_the_poll_waits_on)
{
    fixture *f = fixture_new();
    pw_poll poll = { 0 };
    put(f, (job){ 1 });
    put(f, (job){ 2 });
    open_poll(f, &poll, (request){ 0 });
    pw_board_refuse(f->board, take_wish(f, PW_WISH_GIVE, 1), PW_REFUSE_GONE);
    EXPECT_INT(look(f, 1, 1), PW_THERE_NOT);
    pw_board_refuse(f->board, take_wish(f, PW_WISH_GIVE, 2), PW_REFUSE_PARKED);
    EXPECT_INT(f->told_count, 0);
    EXPECT_TEXT(counts(f, "pack"), "0 0 0 1 1");
    put(f, (job){ 3 });
    give(f, take_wish(f, PW_WISH_GIVE, 3));
    EXPECT_TEXT(take_told(f, &poll), "i3/1");
    char id[27];
    pw_board_unpark(f->board, id_of(id, 2), 2, 1);
    hand_out(f, 2, (request){ 0 });
    fixture_free(f);
}

TEST(board, what_cannot_be_had_now_is_asked_for_again_soon)
{
    fixture *f = fixture_new();
    pw_poll poll = { 0 };
    put(f, (job){ 1 });
    open_poll(f, &poll, (request){ 0 });
    pw_board_refuse(f->board, take_wish(f, PW_WISH_GIVE, 1), PW_REFUSE_LATER);
    EXPECT_TEXT(counts(f, "pack"), "1 0 0 0 1");
    pass(f, 99);
    EXPECT_INT(f->wish_count, 0);
    pass(f, 1);
    give(f, take_wish(f, PW_WISH_GIVE, 1));
    EXPECT_TEXT(take_told(f, &poll), "i1/1");
    fixture_free(f);
}

TEST(board, a_ticket_that_is_taken_off_while_its_owner_is_asked_is_freed_by_the_answer)
{
    fixture *f = fixture_new();
    pw_poll poll = { 0 };
    put(f, (job){ 1 });
    open_poll(f, &poll, (request){ .wait_ms = 200 });
    pw_ticket *t = take_wish(f, PW_WISH_GIVE, 1);
    off(f, 1);
    EXPECT_TEXT(counts(f, "pack"), "0 0 0 0 1");
    put(f, (job){ .instance = 1, .attempt = 2 }); /* the next one, before the owner has answered */
    give(f, t);
    t = take_wish(f, PW_WISH_GIVE, 1);
    EXPECT_INT(t->attempt, 2);
    give(f, t);
    EXPECT_TEXT(take_told(f, &poll), "i1/2");
    fixture_free(f);
}

TEST(board, all_of_a_table_can_be_dropped)
{
    fixture *f = fixture_new();
    pw_poll poll = { 0 };
    for (unsigned i = 0; i < 300; i++)
        put(f, (job){ .instance = 1 + i * PW_BOARD_TABLES }); /* of one table */
    put(f, (job){ 2 });
    open_poll(f, &poll, (request){ .max = 2, .wait_ms = 100 });
    pw_ticket *first = take_wish(f, PW_WISH_GIVE, 1), *second = take_wish(f, PW_WISH_GIVE, 65);
    pw_board_drop(f->board, 1ull << 1);
    pw_board_refuse(f->board, first, PW_REFUSE_LATER);
    pw_board_refuse(f->board, second, PW_REFUSE_LATER);
    EXPECT_INT(look(f, 1, 1), PW_THERE_NOT);
    give(f, take_wish(f, PW_WISH_GIVE, 2));
    EXPECT_TEXT(take_told(f, &poll), "i2/1");
    EXPECT_TEXT(counts(f, "pack"), "0 1 0 0 0");
    fixture_free(f);
}

/* ------------------------------------------------------------------ leases and deadlines */

static void beat(fixture *f, unsigned instance, uint32_t attempt, pw_beat_about about,
                 pw_beat expected, uint64_t expected_ms)
{
    char id[27];
    pw_beat found = PW_BEAT_UNKNOWN;
    uint64_t left_ms = 0;
    EXPECT_OK(pw_board_beat(f->board, id_of(id, instance), instance % PW_BOARD_TABLES, 1, attempt,
                            &about, &found, &left_ms, &f->err),
              f->err);
    EXPECT_INT(found, expected);
    EXPECT_INT(left_ms, expected_ms);
}

TEST(board, a_lease_that_ends_without_a_word_is_told_to_the_owner)
{
    fixture *f = fixture_new();
    put(f, (job){ 1 });
    hand_out(f, 1, (request){ .lease_ms = 1000 });
    pass(f, 999);
    EXPECT_INT(f->wish_count, 0);
    beat(f, 1, 1, (pw_beat_about){ 0 }, PW_BEAT_GOOD, 1000);
    pass(f, 999);
    EXPECT_INT(f->wish_count, 0);
    pass(f, 1);
    pw_ticket *t = take_wish(f, PW_WISH_LOST, 1);
    beat(f, 1, 1, (pw_beat_about){ 0 }, PW_BEAT_OVER, 0); /* too late */
    put(f, (job){ .instance = 1, .attempt = 2 });
    pw_board_done(f->board, t);
    beat(f, 1, 1, (pw_beat_about){ 0 }, PW_BEAT_OVER, 0);
    EXPECT_TEXT(counts(f, "pack"), "1 0 0 0 0");
    fixture_free(f);
}

TEST(board, no_heartbeat_goes_beyond_the_deadline)
{
    fixture *f = fixture_new();
    put(f, (job){ 1 });
    hand_out(f, 1, (request){ .lease_ms = 40000 }); /* the deadline is after 60 s */
    pass(f, 39000);
    beat(f, 1, 1, (pw_beat_about){ 0 }, PW_BEAT_GOOD, 21000);
    pass(f, 20999);
    EXPECT_INT(f->wish_count, 0);
    pass(f, 1);
    pw_board_done(f->board, take_wish(f, PW_WISH_TIMED_OUT, 1));
    beat(f, 1, 1, (pw_beat_about){ 0 }, PW_BEAT_UNKNOWN, 0);
    EXPECT_TEXT(counts(f, "pack"), "none");
    fixture_free(f);
}

TEST(board, a_heartbeat_may_ask_for_another_lease_and_say_how_far_it_is)
{
    fixture *f = fixture_new();
    pw_arena arena;
    pw_ticket_row row;
    char id[27];
    put(f, (job){ 1 });
    hand_out(f, 1, (request){ .lease_ms = 1000 });
    beat(f, 1, 1, (pw_beat_about){ .lease_ms = 5000, .progress = PW_LIT("{\"done\":1}") },
         PW_BEAT_GOOD, 5000);
    beat(f, 1, 1, (pw_beat_about){ .lease_ms = 5000, .progress = PW_LIT("{\"done\":2}") },
         PW_BEAT_GOOD, 5000);
    pw_arena_init(&arena, 0);
    EXPECT(pw_board_ticket(f->board, id_of(id, 1), 1, 1, &row, &arena));
    EXPECT_STR(row.progress, "{\"done\":2}");
    EXPECT_STR(row.worker, "w1");
    EXPECT_TEXT(row.state, "leased");
    EXPECT_INT(row.left_ms, 5000);
    pw_arena_done(&arena);
    fixture_free(f);
}

/* ------------------------------------------------------------------ unsure */

TEST(board, what_may_be_in_other_hands_waits_and_is_renewed_only_when_it_is_wanted)
{
    fixture *f = fixture_new();
    pw_poll poll = { 0 };
    put(f, (job){ .instance = 1, .attempt = 2, .how = PW_PUT_UNSURE, .delay_ms = 1000 });
    EXPECT_INT(look(f, 1, 2), PW_THERE_UNSURE);
    pass(f, 999);
    EXPECT_TEXT(counts(f, "pack"), "0 0 1 0 0");
    pass(f, 1000);
    EXPECT_INT(f->wish_count, 0); /* nobody wants it: no attempt is lost */
    EXPECT_INT(look(f, 1, 2), PW_THERE_UNSURE);
    open_poll(f, &poll, (request){ 0 });
    pw_ticket *t = take_wish(f, PW_WISH_RENEW, 1);
    put(f, (job){ .instance = 1, .attempt = 3 }); /* the loss is committed */
    pw_board_done(f->board, t);
    t = take_wish(f, PW_WISH_GIVE, 1);
    EXPECT_INT(t->attempt, 3);
    give(f, t);
    EXPECT_TEXT(take_told(f, &poll), "i1/3");
    fixture_free(f);
}

TEST(board, a_renewed_job_goes_to_the_poll_that_asked_for_it)
{
    fixture *f = fixture_new();
    pw_poll asked = { 0 }, older = { 0 };
    put(f, (job){ .instance = 1, .how = PW_PUT_UNSURE, .delay_ms = 10 });
    pass(f, 10);
    open_poll(f, &asked, (request){ 0 });
    pw_ticket *t = take_wish(f, PW_WISH_RENEW, 1);
    open_poll(f, &older, (request){ 0 });
    put(f, (job){ .instance = 1, .attempt = 2 });
    pw_board_done(f->board, t);
    give(f, take_wish(f, PW_WISH_GIVE, 1));
    EXPECT_TEXT(take_told(f, &asked), "i1/2");
    EXPECT(pw_poll_withdraw(f->board, &older));
    pw_poll_done(f->board, &older);
    fixture_free(f);
}

TEST(board, one_poll_renews_no_more_than_it_can_take)
{
    fixture *f = fixture_new();
    pw_poll poll = { 0 };
    for (unsigned i = 1; i <= 5; i++)
        put(f, (job){ .instance = i, .how = PW_PUT_UNSURE, .delay_ms = i });
    pass(f, 10);
    open_poll(f, &poll, (request){ .max = 2, .wait_ms = 100 });
    EXPECT_INT(f->wish_count, 2);
    pw_board_refuse(f->board, take_wish(f, PW_WISH_RENEW, 1), PW_REFUSE_LATER);
    pw_board_refuse(f->board, take_wish(f, PW_WISH_RENEW, 2), PW_REFUSE_GONE);
    EXPECT_INT(f->wish_count, 2); /* it asks for others instead */
    pw_ticket *t = take_wish(f, PW_WISH_RENEW, 3);
    put(f, (job){ .instance = 3, .attempt = 2 });
    pw_board_done(f->board, t);
    pw_board_refuse(f->board, take_wish(f, PW_WISH_RENEW, 4), PW_REFUSE_GONE);
    give(f, take_wish(f, PW_WISH_GIVE, 3));
    EXPECT_TEXT(take_told(f, &poll), "i3/2");
    EXPECT_INT(look(f, 5, 1), PW_THERE_UNSURE);
    fixture_free(f);
}

TEST(board, who_has_it_after_all_says_so_by_a_heartbeat)
{
    fixture *f = fixture_new();
    pw_poll poll = { 0 };
    put(f, (job){ .instance = 1, .attempt = 2, .how = PW_PUT_UNSURE, .delay_ms = 1000 });
    put(f, (job){ .instance = 2, .how = PW_PUT_UNSURE, .delay_ms = 1000 });
    const pw_beat_about about = { .default_lease_ms = 3000, .timeout_ms = 9000 };
    beat(f, 1, 1, about, PW_BEAT_OVER, 0); /* of an older attempt */
    beat(f, 1, 2, about, PW_BEAT_GOOD, 3000);
    pass(f, 1000);
    beat(f, 2, 1, about, PW_BEAT_GOOD, 3000); /* late, but nobody else wanted it */
    open_poll(f, &poll, (request){ .wait_ms = 10 });
    EXPECT_INT(f->wish_count, 0);
    EXPECT_TEXT(counts(f, "pack"), "0 2 0 0 1");
    pass(f, 10);
    EXPECT_TEXT(take_told(f, &poll), "");
    pass(f, 1990);
    pw_board_done(f->board, take_wish(f, PW_WISH_LOST, 1));
    fixture_free(f);
}

/* ------------------------------------------------------------------ limits */

static void limit_to(fixture *f, const char *function, uint32_t at_once, double per_second)
{
    EXPECT_OK(pw_board_limit(f->board, pw_str_of(function), at_once, per_second, &f->err), f->err);
}

TEST(board, no_more_at_once_than_the_limit_says)
{
    fixture *f = fixture_new();
    pw_poll poll = { 0 };
    limit_to(f, "pack", 2, 0);
    for (unsigned i = 1; i <= 4; i++)
        put(f, (job){ i });
    open_poll(f, &poll, (request){ .max = 4 });
    EXPECT_INT(f->wish_count, 2);
    give(f, take_wish(f, PW_WISH_GIVE, 1));
    give(f, take_wish(f, PW_WISH_GIVE, 2));
    EXPECT_TEXT(take_told(f, &poll), "i1/1 i2/1");
    pw_poll next = { 0 };
    open_poll(f, &next, (request){ .max = 4 });
    EXPECT_INT(f->wish_count, 0);
    off(f, 1); /* done */
    give(f, take_wish(f, PW_WISH_GIVE, 3));
    EXPECT_TEXT(take_told(f, &next), "i3/1");
    limit_to(f, "pack", 0, 0);
    hand_out(f, 4, (request){ 0 });
    fixture_free(f);
}

TEST(board, no_more_a_second_than_the_limit_says)
{
    fixture *f = fixture_new();
    pw_poll polls[4] = { 0 };
    limit_to(f, "pack", 0, 2); /* two at once, then one every half second */
    for (unsigned i = 0; i < 4; i++) {
        put(f, (job){ i + 1 });
        open_poll(f, &polls[i], (request){ .lease_ms = 20000 });
    }
    give(f, take_wish(f, PW_WISH_GIVE, 1));
    give(f, take_wish(f, PW_WISH_GIVE, 2));
    EXPECT_INT(f->wish_count, 0);
    pass(f, 499);
    EXPECT_INT(f->wish_count, 0);
    pass(f, 2);
    give(f, take_wish(f, PW_WISH_GIVE, 3));
    EXPECT_INT(f->wish_count, 0);
    pass(f, 501);
    give(f, take_wish(f, PW_WISH_GIVE, 4));
    EXPECT_INT(f->told_count, 4);
    for (unsigned i = 0; i < 4; i++)
        (void)take_told(f, &polls[i]);
    fixture_free(f);
}

TEST(board, what_was_not_handed_out_does_not_count_against_the_rate)
{
    fixture *f = fixture_new();
    pw_poll poll = { 0 };
    limit_to(f, "pack", 0, 1);
    put(f, (job){ 1 });
    put(f, (job){ 2 });
    open_poll(f, &poll, (request){ 0 });
    pw_board_refuse(f->board, take_wish(f, PW_WISH_GIVE, 1), PW_REFUSE_GONE);
    give(f, take_wish(f, PW_WISH_GIVE, 2));
    EXPECT_TEXT(take_told(f, &poll), "i2/1");
    fixture_free(f);
}

TEST(board, the_common_limit_is_of_each_function_without_its_own)
{
    fixture *f = fixture_new();
    pw_poll polls[3] = { 0 };
    limit_to(f, "", 1, 0);
    limit_to(f, "film", 2, 0);
    for (unsigned i = 1; i <= 2; i++) {
        put(f, (job){ .instance = i, .function = "pack" });
        put(f, (job){ .instance = 10 + i, .function = "film" });
        put(f, (job){ .instance = 20 + i, .function = "weigh" });
    }
    open_poll(f, &polls[0], (request){ .function = "pack", .max = 5, .wait_ms = 1 });
    open_poll(f, &polls[1], (request){ .function = "film", .max = 5, .wait_ms = 1 });
    open_poll(f, &polls[2], (request){ .function = "weigh", .max = 5, .wait_ms = 1 });
    EXPECT_INT(f->wish_count, 4);
    while (f->wish_count > 0) {
        pw_ticket *t = f->wishes[0];
        memmove(f->wishes, f->wishes + 1, --f->wish_count * sizeof *f->wishes);
        give(f, t);
    }
    EXPECT_TEXT(take_told(f, &polls[0]), "i1/1");
    EXPECT_TEXT(take_told(f, &polls[1]), "i11/1 i12/1");
    EXPECT_TEXT(take_told(f, &polls[2]), "i21/1");
    fixture_free(f);
}

/* ------------------------------------------------------------------ sizes */

TEST(board, jobs_that_are_too_large_for_one_answer_stay_for_the_next)
{
    fixture *f = fixture_new();
    pw_poll poll = { 0 };
    for (unsigned i = 1; i <= 3; i++)
        put(f, (job){ i });
    open_poll(f, &poll, (request){ .max = 3 });
    for (unsigned i = 1; i <= 3; i++)
        pw_board_give(f->board, take_wish(f, PW_WISH_GIVE, i), pw_strdup(PW_LIT("{}")), 20u << 20,
                      60000);
    EXPECT_TEXT(take_told(f, &poll), "i1/1");
    EXPECT_TEXT(counts(f, "pack"), "2 1 0 0 0");
    fixture_free(f);
}

TEST(board, ten_thousand_polls_wait_and_each_job_finds_one_of_them)
{
    enum { POLLS = 10000 };
    fixture *f = fixture_new();
    pw_poll *polls = pw_zalloc(POLLS * sizeof *polls);
    uint64_t before = pw_alloc_count();
    for (unsigned i = 0; i < POLLS; i++)
        open_poll(f, &polls[i], (request){ 0 });
    EXPECT(pw_alloc_count() - before < POLLS + 50u); /* one each, and the heap's growth */
    before = pw_alloc_count();
    for (unsigned i = 0; i < 100; i++) {
        put(f, (job){ i + 1 });
        give(f, take_wish(f, PW_WISH_GIVE, i + 1));
        EXPECT(f->told[0] == &polls[i]);
        (void)take_told(f, &polls[i]);
    }
    EXPECT(pw_alloc_count() - before < 100 * 5 + 50u);
    for (unsigned i = 100; i < POLLS; i++) {
        EXPECT(pw_poll_withdraw(f->board, &polls[i]));
        pw_poll_done(f->board, &polls[i]);
    }
    EXPECT_TEXT(counts(f, "pack"), "0 100 0 0 0");
    pw_free(polls);
    fixture_free(f);
}

TEST(board, a_waiting_job_takes_128_bytes_and_its_places_in_heap_and_table)
{
    EXPECT_INT(sizeof(pw_ticket), 128);
    EXPECT_INT(pw_board_ticket_size(), 136);
}

TEST(board, memory_that_is_not_there_is_an_error_and_nothing_is_left)
{
    fixture *f = fixture_new();
    pw_poll poll = { 0 };
    char id[27];
    const pw_str function = PW_LIT("pack"), namespace_ = PW_LIT("test");
    const pw_poll_about about = { &function, 1, &namespace_, 1, 1, 100, 1000, PW_LIT("w") };
    const pw_ticket_about ticket = { .instance = id_of(id, 1),
                                     .table = 1,
                                     .visit = 1,
                                     .attempt = 1,
                                     .function = function,
                                     .namespace_ = namespace_,
                                     .task = PW_LIT("/do/0") };
    for (uint64_t n = 1;; n++) {
        pw_alloc_fail_after(n);
        pw_ticket *t = pw_ticket_new(f->board, &ticket);
        pw_alloc_fail_after(0);
        pw_ticket_free(f->board, t);
        if (t)
            break;
        EXPECT(n < 20);
    }
    for (uint64_t n = 1;; n++) {
        pw_alloc_fail_after(n);
        pawl_code code = pw_poll_open(&poll, f->board, &about, &f->err);
        pw_alloc_fail_after(0);
        if (code == PAWL_OK)
            break;
        EXPECT_INT(code, PAWL_NO_MEMORY);
        EXPECT(n < 20);
    }
    put(f, (job){ 1 });
    pw_ticket *t = take_wish(f, PW_WISH_GIVE, 1);
    char *text = pw_strdup(PW_LIT("{}"));
    pw_alloc_fail_after(1);
    pw_board_give(f->board, t, text, 2, 60000);
    pw_alloc_fail_after(0);
    EXPECT_TEXT(counts(f, "pack"), "1 0 0 0 1"); /* asked for again later */
    EXPECT(pw_poll_withdraw(f->board, &poll));
    pw_poll_done(f->board, &poll);
    fixture_free(f);
}

/* ------------------------------------------------------------------ looking */

TEST(board, pages_of_tickets_hold_each_once_while_others_come)
{
    enum { FIRST = 1000, LATER = 3000 };
    fixture *f = fixture_new();
    static uint8_t seen[FIRST + LATER + 1];
    memset(seen, 0, sizeof seen);
    for (unsigned i = 1; i <= FIRST; i++)
        put(f, (job){ .instance = i, .function = i % 2 ? "odd" : "even" });
    pw_ticket_filter filter = { .limit = 7 };
    bool more = true;
    for (unsigned pages = 0; more; pages++) {
        pw_arena arena;
        pw_ticket_row *rows = NULL;
        size_t count = 0;
        pw_arena_init(&arena, 0);
        EXPECT_OK(pw_board_tickets(f->board, &filter, &rows, &count, &more, &arena, &f->err),
                  f->err);
        EXPECT(count == 7 || !more);
        for (size_t i = 0; i < count; i++) {
            unsigned n = (unsigned)strtoul(rows[i].instance.ptr + 1, NULL, 10);
            EXPECT(n < PW_LENGTH(seen) && !seen[n]);
            if (n < PW_LENGTH(seen))
                seen[n] = 1;
        }
        if (count > 0) {
            filter.table = rows[count - 1].table;
            filter.cursor = rows[count - 1].cursor;
        }
        pw_arena_done(&arena);
        if (pages == 50) /* the tables grow, and one ticket that was seen goes */
            for (unsigned i = FIRST + 1; i <= FIRST + LATER; i++)
                put(f, (job){ i });
        EXPECT(pages < 1000);
    }
    for (unsigned i = 1; i <= FIRST; i++)
        EXPECT(seen[i]);
    fixture_free(f);
}

TEST(board, a_list_holds_what_its_filter_wants)
{
    fixture *f = fixture_new();
    pw_arena arena;
    pw_ticket_row *rows = NULL;
    size_t count = 0;
    bool more = false;
    char id[27];
    put(f, (job){ .instance = 1, .function = "odd", .namespace_ = "a", .priority = 3 });
    put(f, (job){ .instance = 2, .function = "even", .namespace_ = "b" });
    put(f, (job){ .instance = 3, .function = "odd", .namespace_ = "b" });
    pw_arena_init(&arena, 0);
    pw_ticket_filter filter = { .function = PW_LIT("odd"), .limit = 10 };
    EXPECT_OK(pw_board_tickets(f->board, &filter, &rows, &count, &more, &arena, &f->err), f->err);
    EXPECT_INT(count, 2);
    const pw_str b = PW_LIT("b");
    filter = (pw_ticket_filter){
        .function = PW_LIT("odd"), .namespaces = &b, .namespace_count = 1, .limit = 10
    };
    EXPECT_OK(pw_board_tickets(f->board, &filter, &rows, &count, &more, &arena, &f->err), f->err);
    EXPECT_INT(count, 1);
    EXPECT_STR(rows[0].instance, "i0000000000000000000000003");
    filter = (pw_ticket_filter){ .namespaces = &b, .namespace_count = 0, .limit = 10 };
    EXPECT_OK(pw_board_tickets(f->board, &filter, &rows, &count, &more, &arena, &f->err), f->err);
    EXPECT_INT(count, 0);
    filter = (pw_ticket_filter){ .instance = id_of(id, 1), .instance_table = 1, .limit = 1 };
    EXPECT_OK(pw_board_tickets(f->board, &filter, &rows, &count, &more, &arena, &f->err), f->err);
    EXPECT_INT(count, 1);
    EXPECT(!more);
    EXPECT_INT(rows[0].priority, 3);
    EXPECT_STR(rows[0].namespace_, "a");
    EXPECT_STR(rows[0].task, "/do/0/pack");
    pw_arena_done(&arena);
    fixture_free(f);
}

TEST(board, a_function_has_a_worker_for_a_minute_after_the_last_poll)
{
    fixture *f = fixture_new();
    pw_poll poll = { 0 };
    put(f, (job){ .instance = 1, .how = PW_PUT_UNSURE, .delay_ms = 1000000 });
    EXPECT(!pw_board_has_worker(f->board, PW_LIT("pack")));
    open_poll(f, &poll, (request){ .wait_ms = 100 });
    EXPECT(pw_board_has_worker(f->board, PW_LIT("pack")));
    EXPECT(!pw_board_has_worker(f->board, PW_LIT("film")));
    pass(f, 100);
    (void)take_told(f, &poll);
    pass(f, 59999);
    EXPECT(pw_board_has_worker(f->board, PW_LIT("pack")));
    pass(f, 1);
    EXPECT(!pw_board_has_worker(f->board, PW_LIT("pack")));
    fixture_free(f);
}

TEST_MAIN()
