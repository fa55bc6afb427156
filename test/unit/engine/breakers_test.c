/* breakers_test.c - the rows of circuit breakers: several keepers on one store, which is in memory
 * and shared by handles. In the place of each keeper's driver is one that writes down what it is
 * told. */
#include "fixture.h"
#include "store/memory/memory.h"

#define SERVICE "http://api.test:80"
enum { NODES = 8, TOLD_MAX = 64, PROBE_MS = 10000 };

typedef struct told {
    pw_breaker_state state;
    pw_breaker_force forced;
    int64_t open_until_ms, probe_until_ms;
    uint64_t epoch;
    bool ours;
} told;

typedef struct node {
    struct scene *scene;
    char name[8];
    pw_store *store;
    pw_breakers *keeper;
    told told[TOLD_MAX];
    unsigned count, failures;
    pw_http_service service; /* what the driver says of itself; `service` empty: nothing */
    bool deaf;               /* it has no memory to be told anything */
} node;

typedef struct scene {
    node nodes[NODES];
    atomic_llong now_ms;
    pw_store *store;
    pw_arena arena;
    pawl_error err;
} scene;

static pawl_code tell(void *context, const pw_breaker_record *record, bool ours, pawl_error *err)
{
    node *n = context;
    if (n->deaf)
        return pw_no_memory(err);
    EXPECT(n->count < TOLD_MAX);
    EXPECT_STR(record->service, SERVICE);
    n->told[n->count++] = (told){ record->state,          record->forced, record->open_until_ms,
                                  record->probe_until_ms, record->epoch,  ours };
    return PAWL_OK;
}

static pawl_code services(void *context, pw_http_service **out, size_t *count, pw_arena *arena,
                          pawl_error *err)
{
    (void)arena, (void)err;
    node *n = context;
    *out = &n->service;
    *count = n->service.service.len > 0;
    return PAWL_OK;
}

static int64_t now_ms(void *context)
{
    return atomic_load(&((node *)context)->scene->now_ms);
}

static void on_failure(void *context, const pawl_error *err)
{
    EXPECT_INT(err->code, PAWL_IO);
    ((node *)context)->failures++;
}

static void open_node(scene *s, unsigned i, bool alone)
{
    node *n = &s->nodes[i];
    n->scene = s;
    (void)snprintf(n->name, sizeof n->name, "node-%u", i);
    EXPECT_OK(pw_memory_share(s->store, &n->store, &s->err), s->err);
    const pw_breakers_options options = { .store = n->store,
                                          .node = pw_str_of(n->name),
                                          .alone = alone,
                                          .probe_ms = PROBE_MS,
                                          .look_ms = 1,
                                          .context = n,
                                          .tell = tell,
                                          .services = services,
                                          .now_ms = now_ms,
                                          .on_failure = on_failure };
    EXPECT_OK(pw_breakers_new(&n->keeper, &options, &s->err), s->err);
}

static void close_node(node *n)
{
    if (!n->keeper)
        return;
    pw_breakers_stop(n->keeper);
    EXPECT(!pw_breakers_work(n->keeper, true));
    pw_breakers_free(n->keeper);
    pw_store_close(n->store);
    n->keeper = NULL;
    n->count = 0;
}

static void begin(scene *s, unsigned nodes)
{
    memset(s, 0, sizeof *s);
    pw_arena_init(&s->arena, 0);
    atomic_store(&s->now_ms, 1000000);
    const pw_store_options options = { pw_str_of("memory:"), PW_STORE_OWN, true };
    EXPECT_OK(pw_store_open(&s->store, &options, &s->err), s->err);
    for (unsigned i = 0; i < nodes; i++)
        open_node(s, i, false);
}

static void end(scene *s)
{
    for (unsigned i = 0; i < NODES; i++)
        close_node(&s->nodes[i]);
    pw_store_close(s->store);
    pw_arena_done(&s->arena);
}

static void wish(node *n, pw_breaker_state state, int64_t open_until_ms)
{
    const pw_breaker_record want = { .service = PW_LIT(SERVICE),
                                     .state = state,
                                     .open_until_ms = open_until_ms,
                                     .reason = PW_LIT("5 of 10 calls failed") };
    pw_breakers_wish(n->keeper, &want);
}

/* All that there is to do for it now, without looking at others. */
static void work(node *n)
{
    while (pw_breakers_work(n->keeper, false) && n->count < TOLD_MAX)
        ;
}

/* Until it has been told so often: what others have written it sees when it looks. */
static void hear(node *n, unsigned count)
{
    while (n->count < count)
        EXPECT(pw_breakers_work(n->keeper, true));
    EXPECT_INT(n->count, count);
}

static pw_breaker_record row(scene *s)
{
    pw_breaker_record *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_breakers(s->store, &rows, &count, &s->arena, &s->err), s->err);
    EXPECT(count <= 1);
    return count ? rows[0] : (pw_breaker_record){ .epoch = 0 };
}

#define EXPECT_ROW(s, its_state, its_epoch)                                                        \
    do {                                                                                           \
        pw_breaker_record row_ = row(s);                                                           \
        EXPECT_INT(row_.state, its_state);                                                         \
        EXPECT_INT(row_.epoch, its_epoch);                                                         \
    } while (0)
#define EXPECT_TOLD(node, at, its_state, is_ours)                                                  \
    do {                                                                                           \
        EXPECT((node)->count > (at));                                                              \
        EXPECT_INT((node)->told[at].state, its_state);                                             \
        EXPECT_INT((node)->told[at].ours, is_ours);                                                \
    } while (0)

/* Open at both; its time is over. */
static void open_both(scene *s)
{
    begin(s, 2);
    wish(&s->nodes[0], PW_BREAKER_OPEN, 1060000);
    work(&s->nodes[0]);
    hear(&s->nodes[1], 1);
    EXPECT_TOLD(&s->nodes[1], 0, PW_BREAKER_OPEN, false);
    EXPECT_INT(s->nodes[1].told[0].open_until_ms, 1060000);
    atomic_store(&s->now_ms, 1060000);
}

TEST(breakers, what_the_driver_has_done_is_stored_and_is_no_news_to_it)
{
    scene s;
    begin(&s, 1);
    EXPECT(!pw_breakers_work(s.nodes[0].keeper, false) || s.nodes[0].count == 0);
    wish(&s.nodes[0], PW_BREAKER_OPEN, 1060000);
    work(&s.nodes[0]);
    pw_breaker_record there = row(&s);
    EXPECT_INT(there.state, PW_BREAKER_OPEN);
    EXPECT_INT(there.epoch, 1);
    EXPECT_INT(there.open_until_ms, 1060000);
    EXPECT_INT(there.changed_ms, 1000000);
    EXPECT_INT(there.forced, PW_BREAKER_AUTO);
    EXPECT_STR(there.changed_by, "system");
    EXPECT_STR(there.reason, "5 of 10 calls failed");
    EXPECT_INT(s.nodes[0].count, 0);
    wish(&s.nodes[0], PW_BREAKER_OPEN, 1060000); /* the same once more */
    work(&s.nodes[0]);
    EXPECT_ROW(&s, PW_BREAKER_OPEN, 1);
    EXPECT_INT(s.nodes[0].count, 0);
    end(&s);
}

TEST(breakers, of_two_that_want_the_probe_one_gets_it)
{
    scene s;
    open_both(&s);
    node *a = &s.nodes[0], *b = &s.nodes[1];
    wish(a, PW_BREAKER_HALF_OPEN, -1);
    wish(b, PW_BREAKER_HALF_OPEN, -1);
    work(a);
    work(b);
    EXPECT_TOLD(a, 0, PW_BREAKER_HALF_OPEN, true);
    EXPECT_TOLD(b, 1, PW_BREAKER_HALF_OPEN, false);
    EXPECT_INT(b->told[1].probe_until_ms, 1060000 + PROBE_MS);
    EXPECT_INT(a->count, 1);
    EXPECT_INT(b->count, 2);
    EXPECT_STR(row(&s).probe_by, "node-0");
    wish(b, PW_BREAKER_HALF_OPEN, -1); /* it asks too early: it is told again */
    work(b);
    EXPECT_TOLD(b, 2, PW_BREAKER_HALF_OPEN, false);
    EXPECT_ROW(&s, PW_BREAKER_HALF_OPEN, 2);
    wish(a, PW_BREAKER_CLOSED, -1);
    work(a);
    hear(b, 4);
    EXPECT_TOLD(b, 3, PW_BREAKER_CLOSED, false);
    EXPECT_ROW(&s, PW_BREAKER_CLOSED, 3);
    end(&s);
}

static void want_probe(void *context, unsigned number)
{
    node *n = &((scene *)context)->nodes[number];
    wish(n, PW_BREAKER_HALF_OPEN, -1);
    work(n);
}

TEST(breakers, of_eight_that_race_for_the_probe_one_gets_it_and_the_others_hear_whose_it_is)
{
    for (unsigned round = 0; round < 20; round++) {
        scene s;
        unsigned ours = 0;
        begin(&s, NODES);
        wish(&s.nodes[0], PW_BREAKER_OPEN, 1060000);
        work(&s.nodes[0]);
        for (unsigned i = 1; i < NODES; i++)
            hear(&s.nodes[i], 1);
        atomic_store(&s.now_ms, 1060000);
        crew_run(NODES, want_probe, &s);
        EXPECT_ROW(&s, PW_BREAKER_HALF_OPEN, 2);
        for (unsigned i = 0; i < NODES; i++) {
            const node *n = &s.nodes[i];
            EXPECT_INT(n->told[n->count - 1].state, PW_BREAKER_HALF_OPEN);
            EXPECT_INT(n->told[n->count - 1].epoch, 2);
            ours += n->told[n->count - 1].ours;
        }
        EXPECT_INT(ours, 1);
        end(&s);
    }
}

TEST(breakers, a_probe_whose_lease_is_over_is_for_who_asks)
{
    scene s;
    open_both(&s);
    node *a = &s.nodes[0], *b = &s.nodes[1];
    wish(a, PW_BREAKER_HALF_OPEN, -1);
    work(a);
    hear(b, 2);
    atomic_store(&s.now_ms, 1060000 + PROBE_MS);
    wish(b, PW_BREAKER_HALF_OPEN, -1);
    work(b);
    EXPECT_TOLD(b, 2, PW_BREAKER_HALF_OPEN, true);
    EXPECT_STR(row(&s).probe_by, "node-1");
    /* The first comes back from the dead: its probe went well, but it is another's by now. */
    wish(a, PW_BREAKER_CLOSED, -1);
    work(a);
    EXPECT_TOLD(a, a->count - 1, PW_BREAKER_HALF_OPEN, false);
    EXPECT_ROW(&s, PW_BREAKER_HALF_OPEN, 3);
    wish(b, PW_BREAKER_OPEN, 1140000);
    work(b);
    EXPECT_ROW(&s, PW_BREAKER_OPEN, 4);
    EXPECT_INT(row(&s).open_until_ms, 1140000);
    end(&s);
}

TEST(breakers, a_lease_that_a_clock_which_went_back_has_made_endless_holds_nobody)
{
    scene s;
    open_both(&s);
    atomic_store(&s.now_ms, 9000000);
    wish(&s.nodes[0], PW_BREAKER_HALF_OPEN, -1);
    work(&s.nodes[0]);
    hear(&s.nodes[1], 2);
    atomic_store(&s.now_ms, 1060000);
    wish(&s.nodes[1], PW_BREAKER_HALF_OPEN, -1);
    work(&s.nodes[1]);
    EXPECT_TOLD(&s.nodes[1], 2, PW_BREAKER_HALF_OPEN, true);
    end(&s);
}

TEST(breakers, what_fails_here_opens_what_another_has_just_closed)
{
    scene s;
    open_both(&s);
    node *a = &s.nodes[0], *b = &s.nodes[1];
    wish(a, PW_BREAKER_HALF_OPEN, -1);
    work(a);
    wish(a, PW_BREAKER_CLOSED, -1);
    work(a);
    wish(b, PW_BREAKER_OPEN, 1130000); /* b has not looked: it knows the row as open */
    work(b);
    EXPECT_ROW(&s, PW_BREAKER_OPEN, 4);
    EXPECT_INT(row(&s).open_until_ms, 1130000);
    EXPECT_INT(b->count, 1);
    hear(a, 2);
    EXPECT_TOLD(a, 1, PW_BREAKER_OPEN, false);
    end(&s);
}

static bool force_open(void *context, pw_breaker_record *record)
{
    ++*(unsigned *)context;
    if (record->forced == PW_BREAKER_FORCED_OPEN)
        return false;
    record->state = PW_BREAKER_CLOSED;
    record->open_until_ms = record->probe_until_ms = -1;
    record->probe_by = (pw_str){ 0 };
    record->forced = PW_BREAKER_FORCED_OPEN;
    record->changed_by = PW_LIT("ann");
    record->reason = PW_LIT("they move house");
    record->changed_ms = 1060001;
    return true;
}

static bool force_closed(void *context, pw_breaker_record *record)
{
    (void)context;
    record->forced = PW_BREAKER_FORCED_CLOSED;
    record->changed_by = PW_LIT("bob");
    return true;
}

TEST(breakers, what_a_person_has_forced_holds_at_every_node_against_all_wishes)
{
    scene s;
    unsigned asked = 0;
    pw_breaker_record out;
    open_both(&s);
    node *a = &s.nodes[0], *b = &s.nodes[1];
    EXPECT_OK(
        pw_breakers_change(b->keeper, PW_LIT(SERVICE), force_open, &asked, &out, &s.arena, &s.err),
        s.err);
    EXPECT_INT(asked, 1);
    EXPECT_INT(out.forced, PW_BREAKER_FORCED_OPEN);
    EXPECT_INT(out.epoch, 2);
    EXPECT_STR(out.changed_by, "ann");
    EXPECT_INT(b->count, 2); /* at once, not when it looks */
    EXPECT_INT(b->told[1].forced, PW_BREAKER_FORCED_OPEN);
    wish(a, PW_BREAKER_HALF_OPEN, -1); /* made before it heard */
    wish(b, PW_BREAKER_CLOSED, -1);
    work(a);
    work(b);
    EXPECT_INT(a->count, 1);
    EXPECT_INT(a->told[0].forced, PW_BREAKER_FORCED_OPEN);
    EXPECT_INT(b->count, 2);
    EXPECT_INT(row(&s).epoch, 2);
    wish(a, PW_BREAKER_OPEN, 1200000); /* and before it had read what it was told */
    wish(b, PW_BREAKER_HALF_OPEN, -1);
    work(a);
    work(b);
    EXPECT_INT(a->count, 1);
    EXPECT_INT(b->count, 2);
    EXPECT_INT(row(&s).epoch, 2);
    EXPECT_OK(
        pw_breakers_change(a->keeper, PW_LIT(SERVICE), force_open, &asked, &out, &s.arena, &s.err),
        s.err);
    EXPECT_INT(asked, 2);
    EXPECT_INT(out.epoch, 2); /* it was so before */
    end(&s);
}

TEST(breakers, an_owner_that_is_alone_gives_the_probe_of_the_one_before_to_its_next_call)
{
    scene s;
    begin(&s, 0);
    open_node(&s, 0, true);
    node *a = &s.nodes[0];
    wish(a, PW_BREAKER_OPEN, 1060000);
    work(a);
    wish(a, PW_BREAKER_HALF_OPEN, -1);
    work(a);
    EXPECT_TOLD(a, 0, PW_BREAKER_HALF_OPEN, true);
    close_node(a);
    atomic_store(&s.now_ms, 1060100);
    open_node(&s, 0, true);
    EXPECT_TOLD(a, 0, PW_BREAKER_OPEN, false);
    EXPECT_INT(a->told[0].open_until_ms, 1060100);
    wish(a, PW_BREAKER_HALF_OPEN, -1);
    work(a);
    EXPECT_TOLD(a, 1, PW_BREAKER_HALF_OPEN, true);
    EXPECT_ROW(&s, PW_BREAKER_HALF_OPEN, 3);
    end(&s);
}

TEST(breakers, what_is_stored_holds_from_the_opening_on)
{
    scene s;
    unsigned asked = 0;
    pw_breaker_record out;
    open_both(&s);
    EXPECT_OK(pw_breakers_change(s.nodes[0].keeper, PW_LIT(SERVICE), force_open, &asked, &out,
                                 &s.arena, &s.err),
              s.err);
    open_node(&s, 2, false);
    EXPECT_INT(s.nodes[2].count, 1);
    EXPECT_INT(s.nodes[2].told[0].forced, PW_BREAKER_FORCED_OPEN);
    end(&s);
}

TEST(breakers, a_wish_that_the_store_does_not_take_stays_until_it_does)
{
    scene s;
    begin(&s, 1);
    node *a = &s.nodes[0];
    pw_memory_fail_commit(a->store, 1, false);
    wish(a, PW_BREAKER_OPEN, 1060000);
    work(a);
    EXPECT_INT(a->failures, 1);
    EXPECT_INT(row(&s).epoch, 0);
    work(a);
    EXPECT_INT(a->failures, 2); /* asked again, and once in a round */
    EXPECT_OK(pw_store_reopen(a->store, &s.err), s.err);
    work(a);
    EXPECT_ROW(&s, PW_BREAKER_OPEN, 1);
    EXPECT_INT(a->count, 0);
    end(&s);
}

TEST(breakers, a_break_that_was_over_before_it_could_be_stored_ends_with_a_probe_too)
{
    scene s;
    begin(&s, 1);
    node *a = &s.nodes[0];
    wish(a, PW_BREAKER_OPEN, 1060000);
    work(a);
    wish(a, PW_BREAKER_HALF_OPEN, -1);
    work(a);
    wish(a, PW_BREAKER_CLOSED, -1);
    work(a);
    EXPECT_ROW(&s, PW_BREAKER_CLOSED, 3);
    pw_memory_fail_commit(a->store, 1, false);
    wish(a, PW_BREAKER_OPEN, 1130000);
    work(a);
    EXPECT_INT(a->failures, 1);
    wish(a, PW_BREAKER_HALF_OPEN, -1); /* in the place of the other */
    EXPECT_OK(pw_store_reopen(a->store, &s.err), s.err);
    work(a);
    EXPECT_TOLD(a, 1, PW_BREAKER_HALF_OPEN, true);
    EXPECT_ROW(&s, PW_BREAKER_HALF_OPEN, 4);
    end(&s);
}

TEST(breakers, a_probe_that_was_stored_without_anybody_hearing_of_it_is_still_ours)
{
    scene s;
    open_both(&s);
    node *a = &s.nodes[0];
    pw_memory_fail_commit(a->store, 1, true);
    wish(a, PW_BREAKER_HALF_OPEN, -1);
    work(a);
    EXPECT_INT(a->count, 0);
    EXPECT_ROW(&s, PW_BREAKER_HALF_OPEN, 2);
    EXPECT_OK(pw_store_reopen(a->store, &s.err), s.err);
    work(a);
    EXPECT_TOLD(a, 0, PW_BREAKER_HALF_OPEN, true);
    EXPECT_INT(a->count, 1);
    EXPECT_STR(row(&s).probe_by, "node-0");
    end(&s);
}

TEST(breakers, a_driver_that_could_not_be_told_is_told_again)
{
    scene s;
    open_both(&s);
    node *a = &s.nodes[0], *b = &s.nodes[1];
    a->deaf = b->deaf = true;
    wish(a, PW_BREAKER_HALF_OPEN, -1);
    work(a);
    (void)pw_breakers_work(b->keeper, true);
    EXPECT_INT(a->count, 0);
    EXPECT_INT(b->count, 1);
    a->deaf = b->deaf = false;
    work(a);
    EXPECT_TOLD(a, 0, PW_BREAKER_HALF_OPEN, true);
    hear(b, 2);
    EXPECT_TOLD(b, 1, PW_BREAKER_HALF_OPEN, false);
    end(&s);
}

TEST(breakers, a_wish_for_which_there_was_no_memory_is_found_again)
{
    scene s;
    begin(&s, 1);
    node *a = &s.nodes[0];
    a->service = (pw_http_service){ .service = PW_LIT(SERVICE),
                                    .state = PW_BREAKER_OPEN,
                                    .open_until_ms = 1060000,
                                    .waiting = 1,
                                    .last_error = PW_LIT("no answer in time") };
    pw_alloc_fail_after(1);
    wish(a, PW_BREAKER_OPEN, 1060000);
    pw_alloc_fail_after(0);
    work(a);
    EXPECT_ROW(&s, PW_BREAKER_OPEN, 1);
    EXPECT_STR(row(&s).reason, "no answer in time");
    atomic_store(&s.now_ms, 1060000);
    a->service.open_until_ms = 1060000;
    pw_alloc_fail_after(1);
    wish(a, PW_BREAKER_HALF_OPEN, -1);
    pw_alloc_fail_after(0);
    work(a);
    EXPECT_TOLD(a, 0, PW_BREAKER_HALF_OPEN, true);
    end(&s);
}

TEST(breakers, no_allocation_that_fails_loses_a_wish)
{
    bool whole = false;
    for (uint64_t n = 1; !whole; n++) {
        scene s;
        begin(&s, 1);
        node *a = &s.nodes[0];
        a->service = (pw_http_service){ .service = PW_LIT(SERVICE),
                                        .state = PW_BREAKER_OPEN,
                                        .open_until_ms = 1060000 };
        uint64_t before = pw_alloc_count();
        pw_alloc_fail_after(n);
        wish(a, PW_BREAKER_OPEN, 1060000);
        work(a);
        whole = pw_alloc_count() - before < n;
        pw_alloc_fail_after(0);
        work(a);
        if (row(&s).epoch != 1 || row(&s).state != PW_BREAKER_OPEN)
            fail_msg("allocation %u: the row has epoch %u", (unsigned)n, (unsigned)row(&s).epoch);
        end(&s);
        EXPECT(n < 100);
    }
}

/* ------------------------------------------------------------------ what seldom happens */

TEST(breakers, a_wish_to_close_what_is_closed_changes_nothing)
{
    scene s;
    open_both(&s);
    node *a = &s.nodes[0], *b = &s.nodes[1];
    wish(a, PW_BREAKER_HALF_OPEN, -1);
    work(a);
    wish(a, PW_BREAKER_CLOSED, -1);
    work(a);
    EXPECT_ROW(&s, PW_BREAKER_CLOSED, 3);
    wish(a, PW_BREAKER_CLOSED, -1); /* it knows */
    work(a);
    EXPECT_INT(a->count, 1);
    hear(b, 2);
    b->deaf = true;
    wish(a, PW_BREAKER_OPEN, 1200000);
    work(a);
    wish(a, PW_BREAKER_HALF_OPEN, -1);
    work(a);
    wish(a, PW_BREAKER_CLOSED, -1);
    work(a);
    EXPECT_ROW(&s, PW_BREAKER_CLOSED, 6);
    (void)pw_breakers_work(b->keeper, true); /* reads it, and cannot tell it */
    b->deaf = false;
    EXPECT_INT(b->count, 2);
    wish(b, PW_BREAKER_HALF_OPEN, -1); /* it has been closed meanwhile, and hears of it */
    work(b);
    EXPECT_INT(b->count, 3);
    EXPECT_TOLD(b, 2, PW_BREAKER_CLOSED, false);
    EXPECT_ROW(&s, PW_BREAKER_CLOSED, 6);
    end(&s);
}

TEST(breakers, what_the_store_will_never_take_holds_in_this_process)
{
    static char reason[5000];
    scene s;
    begin(&s, 1);
    node *a = &s.nodes[0];
    memset(reason, 'x', sizeof reason - 1);
    const pw_breaker_record want = { .service = PW_LIT(SERVICE),
                                     .state = PW_BREAKER_HALF_OPEN,
                                     .open_until_ms = -1,
                                     .reason = pw_str_of(reason) };
    pw_breakers_wish(a->keeper, &want);
    work(a);
    EXPECT_INT(a->failures, 0);
    EXPECT_TOLD(a, 0, PW_BREAKER_HALF_OPEN, true); /* its probe may go */
    EXPECT_INT(a->count, 1);
    EXPECT_ROW(&s, PW_BREAKER_CLOSED, 0);
    end(&s);
}

TEST(breakers, hundreds_of_services_have_a_row_each)
{
    enum { SERVICES = 300 };
    scene s;
    char name[32];
    pw_breaker_record *rows = NULL;
    size_t count = 0;
    begin(&s, 1);
    for (unsigned i = 0; i < SERVICES; i++) {
        (void)snprintf(name, sizeof name, "http://s%u:80", i);
        const pw_breaker_record want = { .service = pw_str_of(name),
                                         .state = PW_BREAKER_OPEN,
                                         .open_until_ms = 1060000 + i,
                                         .reason = pw_str_of(name) };
        pw_breakers_wish(s.nodes[0].keeper, &want);
    }
    work(&s.nodes[0]);
    EXPECT_OK(pw_store_breakers(s.store, &rows, &count, &s.arena, &s.err), s.err);
    EXPECT_INT(count, SERVICES);
    for (size_t i = 0; i < count; i++) {
        EXPECT(pw_str_eq(rows[i].service, rows[i].reason));
        EXPECT_INT(rows[i].epoch, 1);
    }
    end(&s);
}

TEST(breakers, a_service_that_is_well_needs_no_wish)
{
    scene s;
    begin(&s, 1);
    node *a = &s.nodes[0];
    a->service = (pw_http_service){ .service = PW_LIT(SERVICE), .state = PW_BREAKER_CLOSED };
    pw_alloc_fail_after(1);
    wish(a, PW_BREAKER_OPEN, 1060000); /* lost; and it is closed again since */
    pw_alloc_fail_after(0);
    work(a);
    EXPECT_ROW(&s, PW_BREAKER_CLOSED, 0);
    end(&s);
}

/* Changes the row by another node's keeper, each time that it is asked. */
static bool lose_race(void *context, pw_breaker_record *record)
{
    scene *s = context;
    unsigned asked = 0;
    pw_breaker_record out;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    EXPECT_OK(pw_breakers_change(s->nodes[1].keeper, PW_LIT(SERVICE),
                                 record->forced == PW_BREAKER_FORCED_OPEN ? force_closed : force_open, &asked, &out,
                                 &arena, &s->err),
              s->err);
    pw_arena_done(&arena);
    record->forced = PW_BREAKER_FORCED_CLOSED;
    record->reason = PW_LIT("never");
    return true;
}

TEST(breakers, who_loses_every_race_is_told_to_try_again)
{
    scene s;
    pw_breaker_record out;
    begin(&s, 2);
    EXPECT_INT(pw_breakers_change(s.nodes[0].keeper, PW_LIT(SERVICE), lose_race, &s, &out, &s.arena, &s.err), PAWL_BUSY);
    EXPECT_CONTAINS(s.err.message, "the breaker of 'http://api.test:80' changes all the time; try again");
    EXPECT_INT(row(&s).epoch, 16);
    EXPECT(!pw_str_is(row(&s).reason, "never"));
    end(&s);
}

TEST(breakers, a_person_is_told_that_the_store_did_not_take_it)
{
    scene s;
    unsigned asked = 0;
    pw_breaker_record out;
    begin(&s, 1);
    node *a = &s.nodes[0];
    pw_memory_fail_commit(a->store, 1, false);
    EXPECT_INT(pw_breakers_change(a->keeper, PW_LIT(SERVICE), force_open, &asked, &out, &s.arena, &s.err), PAWL_IO);
    EXPECT_INT(a->failures, 1);
    EXPECT_INT(a->count, 0);
    EXPECT_OK(pw_store_reopen(a->store, &s.err), s.err);
    a->deaf = true; /* stored, and the driver hears of it by the next round */
    EXPECT_OK(pw_breakers_change(a->keeper, PW_LIT(SERVICE), force_open, &asked, &out, &s.arena, &s.err), s.err);
    EXPECT_INT(a->count, 0);
    a->deaf = false;
    work(a);
    EXPECT_INT(a->count, 1);
    EXPECT_INT(a->told[0].forced, PW_BREAKER_FORCED_OPEN);
    end(&s);
}

TEST(breakers, one_that_cannot_tell_its_driver_does_not_open)
{
    scene s;
    open_both(&s);
    node *n = &s.nodes[2];
    const pw_breakers_options options = { .store = s.store, .node = PW_LIT("x"), .context = n, .tell = tell,
                                          .services = services, .now_ms = now_ms };
    n->scene = &s;
    n->deaf = true;
    EXPECT_INT(pw_breakers_new(&n->keeper, &options, &s.err), PAWL_NO_MEMORY);
    EXPECT(n->keeper == NULL);
    end(&s);
}

static void keep_line(void *context, const char *line)
{
    char *all = context;
    const size_t used = strlen(all);
    (void)snprintf(all + used, 4096 - used, "%s%s", used ? "," : "[", line);
}

TEST(breakers, the_log_says_of_each_change_what_is_open_and_by_whom)
{
    static char lines[4096];
    scene s;
    unsigned asked = 0;
    pw_breaker_record out;
    pawl_error err;
    const pawl_logging logging = { .struct_size = sizeof logging, .level = "debug", .on_line = keep_line, .context = lines };
    lines[0] = '\0';
    EXPECT_OK(pawl_logging_start(&logging, &err), err);
    open_both(&s);
    node *a = &s.nodes[0];
    wish(a, PW_BREAKER_HALF_OPEN, -1);
    work(a);
    wish(a, PW_BREAKER_CLOSED, -1);
    work(a);
    EXPECT_OK(pw_breakers_change(a->keeper, PW_LIT(SERVICE), force_open, &asked, &out, &s.arena, &s.err), s.err);
    end(&s);
    pawl_logging_stop();
    (void)snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "]");
    EXPECT_ASK(lines, "[.[] | select(.component == \"breakers\") | [.level, .event, .service, .by]] | unique",
               "[[\"debug\",\"breaker.half-open\",\"http://api.test:80\",\"system\"],"
               "[\"info\",\"breaker.closed\",\"http://api.test:80\",\"ann\"],"
               "[\"info\",\"breaker.closed\",\"http://api.test:80\",\"system\"],"
               "[\"warning\",\"breaker.opened\",\"http://api.test:80\",\"system\"]]");
}

TEST_MAIN()
