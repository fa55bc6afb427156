/* cost.c - what a step of ten activities in sequence costs on SQLite, held: statements, rows,
 * commits and syncs to the last one, bytes written and allocations within 5 %.
 *
 * How many steps share a commit is fixed: one, through the whole library; and sixty-four, through
 * core and store alone, where no thread decides it. Both stay below the thousand pages at which a
 * checkpoint begins, so that what is written is what the commits write. Instructions are held by
 * instructions.py. Who makes a step cheaper writes the new figure here. */
#include <pthread.h> /* before base.h, which forbids names that it declares */
#include <unistd.h>

#include "test.h"
#include "base/digest.h"
#include "base/json.h"
#include "core/core.h"
#include "engine/engine.h"
#include "lang/lang.h"
#include "load.h"
#include "measure.h"

enum { TASKS = 10, STEPS = TASKS + 1 };

static void within_5_percent(const char *what, uint64_t amount, const cost *of, double recorded)
{
    double now = measure_per(amount, of);
    if (now < 0.95 * recorded || now > 1.05 * recorded)
        fail_msg("%s: %.3f a step, recorded were %.3f", what, now, recorded);
}

static void store_path(char out[4096])
{
    (void)bench_file(out, pw_test_dir(), "cost.db");
}

TEST(cost, a_step_alone_is_four_statements_two_rows_one_sync_and_four_pages)
{
    enum { INSTANCES = 12 };
    char path[4096];
    load l = { 0 };
    store_path(path);
    load_open(&l, path, TASKS);
    load_run(&l, "bench/step", 1, 1); /* everything is there that is made at the first use */
    cost c = load_measure(&l, "bench/step", INSTANCES, 1);
    load_close(&l);
    EXPECT_INT(c.steps, INSTANCES * STEPS);
    EXPECT_INT(c.commits, INSTANCES * STEPS);
    EXPECT_INT(c.syncs, INSTANCES * STEPS);
    /* Of an instance, 11 steps: UPDATE and INSERT, and the events of its start and its end. */
    EXPECT_INT(c.rows, INSTANCES * (2 * STEPS + 2));
    EXPECT_INT(c.statements, INSTANCES * (4 * STEPS + 2)); /* BEGIN and COMMIT, too */
    within_5_percent("bytes", c.bytes, &c, 18210); /* a page less in twenty without auto_vacuum, by which room is given back */
    within_5_percent("allocations", c.allocations, &c, 13.0);
}

/* ------------------------------------------------------------------ messages */

static unsigned messages;

/* One that nobody wants: it is put, routed, and kept. */
static void publish(load *l, const char *subject)
{
    char text[300];
    pawl_error err;
    messages++;
    (void)snprintf(text, sizeof text,
                   "{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"/cost\",\"type\":\"m\","
                   "\"subject\":\"%s\",\"data\":%u}",
                   messages, subject, messages);
    check(pawl_publish(l->pawl, text, NULL, NULL, &err), &err);
}

static void start_waiting(load *l, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        char input[40];
        pawl_error err;
        (void)snprintf(input, sizeof input, "{\"id\":\"w%u\"}", i);
        const pawl_start_options options = { .struct_size = sizeof options,
                                             .name = "cost/waits",
                                             .input = input };
        check(pawl_start(l->pawl, &options, NULL, NULL, &err), &err);
    }
    pawl_error err;
    check(pawl_drain(l->pawl, 60000, &err), &err);
}

TEST(cost, a_message_costs_the_same_whoever_waits_for_others)
{
    enum { COUNT = 10 };
    static const unsigned more[] = { 10, 190, 800 };
    char path[4096];
    load l = { 0 };
    store_path(path);
    load_open(&l, path, TASKS);
    load_deploy(&l, "document: { dsl: 1.0.3, namespace: cost, name: waits, version: 1.0.0 }\n"
                    "do:\n"
                    "  - hear: { listen: { to: { one: { with: { type: m, subject: '${ $input.id }' } } } } }\n");
    unsigned waiting = 0;
    for (size_t i = 0; i < PW_LENGTH(more); i++) {
        start_waiting(&l, waiting, more[i]);
        waiting += more[i];
        publish(&l, "first"); /* what is made at the first use */
        cost before = measure_now(l.pawl->store);
        for (unsigned n = 0; n < COUNT; n++)
            publish(&l, "nobody");
        cost c = measure_since(&before, l.pawl->store);
        EXPECT_INT(c.statements, COUNT * 11); /* of two transactions, with their BEGIN and COMMIT */
        EXPECT_INT(c.rows, COUNT * 3);        /* the message, its state, its key */
        EXPECT_INT(c.commits, COUNT * 2); /* a sync each; so many who wait fill the log, and its checkpoint syncs beside */
    }
    load_close(&l);
}

/* ------------------------------------------------------------------ sixty-four to a commit */

enum { BATCH = 64 };

typedef struct running {
    char id[27];
    pw_arena arena;
    pw_transition t;
    const pw_state *state;
} running;

typedef struct driver {
    pw_store *store;
    pw_program *program;
    pw_expr_machine *machine;
    pw_arena arena;
    running all[BATCH];
} driver;

static void open_driver(driver *d, const char *path)
{
    pawl_error err;
    pw_arena_init(&d->arena, 0);
    pw_store_options options = { pw_str_of(path), PW_STORE_OWN, true };
    check(pw_store_open(&d->store, &options, &err), &err);
    char *document = load_document(TASKS);
    pw_findings findings = { .arena = &d->arena };
    check(pw_lang_load(&d->program, pw_str_of(document), &findings, &err), &err);
    pw_definition definition = { .namespace_ = PW_LIT("bench"),
                                 .name = PW_LIT("step"),
                                 .version = PW_LIT("1.0.0"),
                                 .digest = PW_LIT("digest"),
                                 .document = pw_str_of(document) };
    bool created = false;
    check(pw_store_definition_put(d->store, &definition, &created, &err), &err);
    pw_free(document);
    d->machine = must(pw_expr_machine_new(NULL));
    for (unsigned i = 0; i < BATCH; i++) { /* ids spread over the keys, as real ones do */
        unsigned long long spread = pw_hash64(1, &i, sizeof i);
        (void)snprintf(d->all[i].id, sizeof d->all[i].id, "%016llx%010u", spread, i);
        pw_arena_init(&d->all[i].arena, 0);
    }
}

static void close_driver(driver *d)
{
    for (unsigned i = 0; i < BATCH; i++)
        pw_arena_done(&d->all[i].arena);
    pw_expr_machine_free(d->machine);
    pw_program_unref(d->program);
    pw_store_close(d->store);
    pw_arena_done(&d->arena);
}

static void decide(driver *d, running *r, uint64_t sequence, pw_value input)
{
    pawl_error err;
    const pw_core_settings settings = { .generation = pw_store_generation(d->store) };
    pw_identity identity = { .instance = pw_str_of(r->id),
                             .correlation = pw_str_of(r->id),
                             .sequence = sequence,
                             .created_ms = 1790000000000 };
    pw_event event = { .kind = PW_EVENT_START,
                       .now_ms = 1790000000000 + (int64_t)sequence,
                       .seed = 7,
                       .payload = input };
    if (sequence > 1) {
        EXPECT_INT(r->t.work_count, 1);
        event.kind = PW_EVENT_ACTIVITY_RESULT;
        event.visit = r->t.work[0].visit;
        event.attempt = 1;
    }
    check(pw_core_step(&r->t, d->program, r->state, &identity, &event, &settings, d->machine,
                       &r->arena, &err),
          &err);
    r->state = r->t.state;
}

/* One step of each instance, and one commit of them all. */
static void round_of(driver *d, uint64_t sequence)
{
    pawl_error err;
    pw_value input;
    const char *text = sequence == 1 ? load_input : LOAD_RESULT;
    check(pw_json_parse(&input, pw_str_of(text), NULL, &d->arena, &err), &err);
    pw_instance_new create = { .namespace_ = PW_LIT("bench"),
                               .name = PW_LIT("step"),
                               .version = PW_LIT("1.0.0"),
                               .input_digest = PW_LIT("digest") };
    pw_commit_item items[BATCH];
    for (unsigned i = 0; i < BATCH; i++) {
        decide(d, &d->all[i], sequence, input);
        items[i] =
            (pw_commit_item){ .instance = pw_str_of(d->all[i].id),
                              .token = sequence - 1,
                              .create = sequence == 1 ? &create : NULL,
                              .transition = &d->all[i].t,
                              .event = sequence == 1 ? PW_EVENT_START : PW_EVENT_ACTIVITY_RESULT,
                              .now_ms = 1790000000000 + (int64_t)sequence };
    }
    check(pw_store_commit(d->store, items, BATCH, &err), &err);
    for (unsigned i = 0; i < BATCH; i++)
        EXPECT_INT(items[i].code, PAWL_OK);
}

TEST(cost, sixty_four_steps_in_one_commit_share_its_sync_and_most_of_its_pages)
{
    static driver d;
    char path[4096];
    store_path(path);
    open_driver(&d, path);
    cost before = measure_now(d.store);
    for (uint64_t sequence = 1; sequence <= STEPS; sequence++)
        round_of(&d, sequence);
    cost c = measure_since(&before, d.store);
    for (unsigned i = 0; i < BATCH; i++)
        EXPECT_INT(d.all[i].t.status, PW_COMPLETED);
    close_driver(&d);
    EXPECT_INT(c.steps, BATCH * STEPS);
    EXPECT_INT(c.commits, STEPS);
    EXPECT_INT(c.syncs, STEPS);
    EXPECT_INT(c.rows, BATCH * (2 * STEPS + 2));
    EXPECT_INT(c.statements, BATCH * (2 * STEPS + 2) + 2 * STEPS);
    within_5_percent("bytes", c.bytes, &c, 4758);
}

TEST_MAIN()
