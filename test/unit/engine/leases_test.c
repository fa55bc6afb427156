/* leases_test.c - several engines on one store, which is in memory and shared by handles:
 * partitions are shared out, given back and taken over, and whoever has lost one can neither commit
 * nor answer.
 *
 * Leases end by the store's clock, which the tests move by hand. An engine's own idea of its lease
 * is by real time: where that matters the lease is short and the test waits for what follows. */
#include <limits.h>
#include <time.h>
#include "fixture.h"
#include "store/memory/memory.h"

enum { NODES = 3, LEASE_MS = 3600000, RUNS_MAX = 4096 };

/* ------------------------------------------------------------------ a cluster */

typedef struct run {
    char key[64];
    unsigned attempt;
} run;

typedef struct cluster {
    pw_store *store; /* a handle of its own: for the clock, and to look */
    atomic_llong store_ms;
    fixture nodes[NODES]; /* p NULL: not there */
    uint64_t lease_ms;
    pthread_mutex_t lock;
    run runs[RUNS_MAX]; /* of the function `note`, at any node */
    size_t run_count;
    unsigned twice;    /* runs that had been there before */
    atomic_uint steps; /* that were told to on_step, of all nodes */
} cluster;

static int64_t store_now(void *context)
{
    return atomic_load(&((cluster *)context)->store_ms);
}

/* Remembers (key, attempt): the key is of instance and visit. */
static pawl_code note_run(pawl_activity *activity, const char *input, void *context)
{
    cluster *c = context;
    run r = { .attempt = pawl_activity_attempt(activity) };
    (void)snprintf(r.key, sizeof r.key, "%s", pawl_activity_idempotency_key(activity));
    (void)pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->run_count; i++)
        c->twice += strcmp(c->runs[i].key, r.key) == 0 && c->runs[i].attempt == r.attempt;
    if (c->run_count < RUNS_MAX)
        c->runs[c->run_count++] = r;
    (void)pthread_mutex_unlock(&c->lock);
    return pawl_activity_return(activity, input, NULL);
}

static void count_step(void *context, const char *entries)
{
    (void)entries;
    atomic_fetch_add(&((cluster *)context)->steps, 1);
}

static void cluster_init(cluster *c, uint64_t lease_ms)
{
    memset(c, 0, sizeof *c);
    c->lease_ms = lease_ms;
    atomic_store(&c->store_ms, 1000000);
    (void)pthread_mutex_init(&c->lock, NULL);
    const pw_store_options options = { pw_str_of("memory:"), PW_STORE_OWN, true };
    pawl_error err;
    EXPECT_OK(pw_store_open(&c->store, &options, &err), err);
    pw_memory_set_clock(c->store, store_now, c);
    for (unsigned i = 0; i < NODES; i++)
        fixture_init(&c->nodes[i], "memory:");
}

static void node_open(cluster *c, unsigned i)
{
    fixture *f = &c->nodes[i];
    char name[] = "node-?";
    name[5] = (char)('a' + i);
    const pw_node_options node = { .name = name, .lease_ms = c->lease_ms };
    pawl_activity_options *note = &f->activities[1]; /* in the place of echo */
    note->name = "note";
    note->run = note_run;
    note->context = c;
    f->options.on_step = count_step;
    f->options.on_step_context = c;
    pw_store *store = NULL;
    EXPECT_OK(pw_memory_share(c->store, &store, &f->err), f->err);
    EXPECT_OK(pw_engine_open(&f->p, &f->options, &node, store, &f->err), f->err);
}

static void cluster_done(cluster *c)
{
    for (unsigned i = 0; i < NODES; i++)
        fixture_done(&c->nodes[i]);
    pw_store_close(c->store);
    (void)pthread_mutex_destroy(&c->lock);
}

/* Until a beat of the node, and all that followed from it, is done. */
static void round_of(cluster *c, unsigned i)
{
    fixture *f = &c->nodes[i];
    EXPECT_OK(pw_leases_round(f->p->leases, pw_monotonic_ns() + WAIT_MS * 1000000ull, &f->err),
              f->err);
}

static unsigned held(const cluster *c, unsigned i)
{
    return (unsigned)__builtin_popcountll(pw_leases_held(c->nodes[i].p->leases));
}

/* Everybody beats, twice: what the first gave the second can take. */
static void rounds(cluster *c)
{
    for (unsigned n = 0; n < 2; n++)
        for (unsigned i = 0; i < NODES; i++)
            if (c->nodes[i].p)
                round_of(c, i);
}

/* The node is silent, and for the others' clock its lease is over. */
static void cut_off(cluster *c, unsigned i)
{
    pw_memory_cut_off(c->nodes[i].p->store, true);
    atomic_fetch_add(&c->store_ms, (long long)c->lease_ms + 1);
}

/* ------------------------------------------------------------------ callers */

/* The node that decides for an instance; NODES: none does for now. */
static unsigned owner_of(cluster *c, const char *id)
{
    uint32_t n = pw_store_partition(pw_str_of(id));
    for (unsigned i = 0; i < NODES; i++)
        if (c->nodes[i].p && pw_leases_held(c->nodes[i].p->leases) >> n & 1)
            return i;
    return NODES;
}

/* As callers do: at one node, and if that says PAWL_BUSY at the next, until one takes it. */
static char *start_somewhere(cluster *c, unsigned first, const char *name, const char *key)
{
    uint64_t deadline = pw_monotonic_ns() + WAIT_MS * 1000000ull;
    const pawl_start_options options = {
        .struct_size = sizeof options, .name = name, .key = key, .input = "{\"n\":1}"
    };
    for (unsigned i = first; pw_monotonic_ns() < deadline; i++) {
        fixture *f = &c->nodes[i % NODES];
        pawl_error err;
        char *id = NULL;
        pawl_code code = f->p ? pawl_start(f->p, &options, &id, NULL, &err) : PAWL_BUSY;
        if (code == PAWL_OK)
            return id;
        if (code != PAWL_BUSY)
            fail_msg("start: %s", err.message);
        if (i % NODES == 2)
            (void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    fail_msg("no node takes the instance %s", key);
}

/* Waits at whichever node has it until it has ended; gives what pawl_show says. */
static char *finish_somewhere(cluster *c, const char *id)
{
    uint64_t deadline = pw_monotonic_ns() + WAIT_MS * 1000000ull;
    for (unsigned i = 0; pw_monotonic_ns() < deadline; i++) {
        fixture *f = &c->nodes[i % NODES];
        pawl_error err;
        char *text = NULL;
        pawl_code code =
            f->p ? pawl_wait(f->p, id, PAWL_WAIT_END, WAIT_MS, &text, &err) : PAWL_BUSY;
        if (code == PAWL_OK)
            return text;
        if (code != PAWL_BUSY)
            fail_msg("wait for %s: %s", id, err.message);
        if (i % NODES == 2)
            (void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    fail_msg("%s did not end", id);
}

/* Its steps are 1, 2, 3 ..., each once, and their epochs never fall; gives how many there are. */
static size_t check_steps(cluster *c, const char *id)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_step_row *rows = NULL;
    size_t count = 0;
    pawl_error err;
    EXPECT_OK(pw_store_steps(c->store, pw_str_of(id), 1, PW_PAGE_MAX, &rows, &count, &arena, &err),
              err);
    for (size_t i = 0; i < count; i++) {
        EXPECT_INT(rows[i].sequence, i + 1);
        EXPECT(rows[i].epoch >= (i > 0 ? rows[i - 1].epoch : 1));
    }
    pw_arena_done(&arena);
    return count;
}

static const char two_notes[] = "  - one: {call: note, with: {}}\n"
                                "  - two: {call: note, with: {}}";
static const char gated[] = "  - work: {call: gate, with: {}}\n"
                            "  - then: {call: note, with: {}}";
static const char approval[] = "  - ask: {call: userTask, with: {key: ok}}";

static void finish_all(cluster *c, char **ids, size_t count, size_t steps)
{
    for (size_t i = 0; i < count; i++) {
        char *text = finish_somewhere(c, ids[i]);
        EXPECT_ASK(text, ".status", "\"completed\"");
        pawl_free(text);
        size_t made = check_steps(c, ids[i]);
        if (steps)
            EXPECT_INT(made, steps);
        pawl_free(ids[i]);
    }
    EXPECT_INT(c->twice, 0);
}

/* An instance, by key, of a partition that the node has. */
static char *start_at(cluster *c, unsigned node, const char *name)
{
    char *id = start(&c->nodes[node], name, "{\"n\":1}");
    EXPECT_INT(owner_of(c, id), node);
    return id;
}

/* ------------------------------------------------------------------ sharing */

TEST(leases, the_first_node_takes_all_and_the_second_gets_half)
{
    static cluster c;
    cluster_init(&c, LEASE_MS);
    node_open(&c, 0);
    round_of(&c, 0);
    EXPECT_INT(held(&c, 0), 64);
    node_open(&c, 1);
    rounds(&c);
    EXPECT_INT(held(&c, 0), 32);
    EXPECT_INT(held(&c, 1), 32);
    EXPECT(~pw_leases_held(c.nodes[0].p->leases) == pw_leases_held(c.nodes[1].p->leases));
    cluster_done(&c);
}

TEST(leases, a_third_node_gets_its_share_and_leaves_it_to_the_others)
{
    static cluster c;
    cluster_init(&c, LEASE_MS);
    for (unsigned i = 0; i < NODES; i++) {
        node_open(&c, i);
        rounds(&c);
    }
    EXPECT_INT(held(&c, 0), 22);
    EXPECT_INT(held(&c, 1), 22);
    EXPECT_INT(held(&c, 2), 20);
    fixture_close(&c.nodes[1]);
    rounds(&c);
    EXPECT_INT(held(&c, 0), 32);
    EXPECT_INT(held(&c, 2), 32);
    EXPECT(~pw_leases_held(c.nodes[0].p->leases) == pw_leases_held(c.nodes[2].p->leases));
    cluster_done(&c);
}

TEST(leases, every_instance_ends_whichever_node_it_is_started_at)
{
    static cluster c;
    char *ids[60];
    cluster_init(&c, LEASE_MS);
    node_open(&c, 0);
    node_open(&c, 1);
    rounds(&c);
    deploy(&c.nodes[1], "notes", two_notes);
    for (unsigned i = 0; i < PW_LENGTH(ids); i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%u", i);
        ids[i] = start_somewhere(&c, i, "notes", key);
    }
    finish_all(&c, ids, PW_LENGTH(ids), 3);
    EXPECT_INT(c.run_count, 120);
    EXPECT_INT(atomic_load(&c.steps), 180);
    cluster_done(&c);
}

TEST(leases, a_start_without_a_key_is_taken_by_the_node_that_is_asked)
{
    static cluster c;
    char *ids[40];
    cluster_init(&c, LEASE_MS);
    node_open(&c, 0);
    node_open(&c, 1);
    rounds(&c);
    deploy(&c.nodes[0], "notes", two_notes);
    for (unsigned i = 0; i < PW_LENGTH(ids); i++)
        ids[i] = start_at(&c, i % 2, "notes");
    finish_all(&c, ids, PW_LENGTH(ids), 3);
    cluster_done(&c);
}

TEST(leases, a_command_for_another_node_is_refused_and_told_where_to_go)
{
    static cluster c;
    cluster_init(&c, LEASE_MS);
    node_open(&c, 0);
    node_open(&c, 1);
    rounds(&c);
    fixture *other = &c.nodes[1];
    deploy(&c.nodes[0], "ask", approval);
    char *id = start_at(&c, 0, "ask");
    EXPECT_INT(pawl_resume(other->p, id, "ok", "1", NULL, &other->err), PAWL_BUSY);
    EXPECT_CONTAINS(other->err.message, "which is node 'node-a-");
    EXPECT_CONTAINS(other->err.message, "'s: send it there");
    EXPECT_INT(pawl_wait(other->p, id, PAWL_WAIT_END, 0, NULL, &other->err), PAWL_BUSY);
    char *text = show(other, id); /* looking is for everybody */
    EXPECT_ASK(text, ".status", "\"waiting\"");
    pawl_free(text);
    EXPECT_OK(pawl_resume(c.nodes[0].p, id, "ok", "1", NULL, &other->err), other->err);
    finish_all(&c, &id, 1, 2);
    cluster_done(&c);
}

TEST(leases, a_command_in_the_inbox_reaches_the_owner)
{
    static cluster c;
    cluster_init(&c, LEASE_MS);
    node_open(&c, 0);
    node_open(&c, 1);
    rounds(&c);
    deploy(&c.nodes[0], "ask", approval);
    char *id = start_at(&c, 0, "ask");
    const pw_inbox_row row = { .target = pw_str_of(id),
                               .key = PW_LIT("d1"),
                               .kind = PW_LIT("resume"),
                               .actor = PW_LIT("ann"),
                               .payload = PW_LIT("{\"key\":\"ok\",\"data\":7}") };
    pawl_error err;
    EXPECT_OK(pw_store_inbox_put(c.nodes[1].p->store, &row, &err), err);
    char *text = finish_somewhere(&c, id); /* its owner looks at every check */
    EXPECT_ASK(text, "[.status, .output.value]", "[\"completed\",7]");
    pawl_free(text);
    pawl_free(id);
    cluster_done(&c);
}

/* Both nodes look at their inboxes until the instance has ended. */
static void look_until_ended(cluster *c, const char *id)
{
    uint64_t deadline = pw_monotonic_ns() + WAIT_MS * 1000000ull;
    bool ended = false, whole;
    while (!ended) {
        EXPECT(pw_monotonic_ns() < deadline);
        for (unsigned i = 0; i < 2; i++) {
            fixture *f = &c->nodes[i];
            pw_recovery_inbox(f->p->recovery);
            EXPECT_OK(pw_recovery_round(f->p->recovery, deadline, &whole, &f->err), f->err);
        }
        char *text = show(&c->nodes[0], id);
        ended = strcmp(ask(text, "has(\"endedAt\")"), "true") == 0;
        pawl_free(text);
    }
}

/* How many children of the instance the node decides for, of `count` that there are. */
static unsigned children_at(cluster *c, unsigned node, const char *parent, size_t count)
{
    const pw_instance_filter filter = { .parent = pw_str_of(parent), .limit = PW_PAGE_MAX };
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_instance_row *rows = NULL;
    size_t found = 0;
    unsigned there = 0;
    pw_str next;
    pawl_error err;
    EXPECT_OK(pw_store_instance_list(c->store, &filter, &rows, &found, &next, &arena, &err), err);
    EXPECT_INT(found, count);
    for (size_t i = 0; i < found; i++) {
        char id[PW_ID_SIZE];
        (void)snprintf(id, sizeof id, PW_FMT, PW_ARG(rows[i].id));
        EXPECT_INT(rows[i].status, PW_COMPLETED);
        EXPECT_INT(check_steps(c, id), 3);
        there += owner_of(c, id) == node;
    }
    pw_arena_done(&arena);
    return there;
}

TEST(leases, a_parent_and_children_of_another_node_hear_of_each_other)
{
    static const char sub[] = "{run: {workflow: {namespace: test, name: notes, version: latest}}}";
    static cluster c;
    char body[1000];
    unsigned elsewhere = 0, parents = 0;
    cluster_init(&c, LEASE_MS);
    node_open(&c, 0);
    node_open(&c, 1);
    rounds(&c);
    deploy(&c.nodes[0], "notes", two_notes);
    (void)snprintf(body, sizeof body,
                   "  - all: {fork: {branches: [{a: %s}, {b: %s}, {c: %s}, {d: %s}]}}", sub, sub,
                   sub, sub);
    deploy(&c.nodes[0], "parent", body);
    for (; elsewhere == 0; parents++) { /* where a child is, chance decides */
        char *id = start_at(&c, 0, "parent");
        look_until_ended(&c, id);
        char *text = show(&c.nodes[0], id);
        EXPECT_ASK(text, "[.status, .output[].n]", "[\"completed\",null,null,null,null]");
        pawl_free(text);
        elsewhere = children_at(&c, 1, id, 4);
        EXPECT_INT(check_steps(&c, id), 5);
        pawl_free(id);
    }
    EXPECT_INT(c.run_count, parents * 8);
    EXPECT_INT(c.twice, 0);
    cluster_done(&c);
}

TEST(leases, what_one_node_deploys_the_other_starts)
{
    static cluster c;
    cluster_init(&c, LEASE_MS);
    node_open(&c, 0);
    node_open(&c, 1);
    rounds(&c);
    deploy(&c.nodes[0], "notes", two_notes);
    char *ids[2] = { start_at(&c, 1, "notes"), NULL };
    static const char newer[] = "document: {dsl: 1.0.0, namespace: test, name: notes, version: "
                                "1.1.0}\ndo:\n  - one: {call: note, with: {}}\n";
    pawl_error err;
    EXPECT_OK(pawl_deploy(c.nodes[0].p, newer, strlen(newer), NULL, NULL, NULL, &err), err);
    ids[1] = start_at(&c, 1, "notes");
    char *text = finish_somewhere(&c, ids[1]);
    EXPECT_ASK(text, ".version", "\"1.1.0\"");
    pawl_free(text);
    finish_all(&c, ids, 2, 0);
    cluster_done(&c);
}

/* ------------------------------------------------------------------ giving and taking over */

TEST(leases, a_node_that_closes_leaves_its_instances_to_the_other)
{
    static cluster c;
    char *ids[8];
    cluster_init(&c, LEASE_MS);
    node_open(&c, 0);
    deploy(&c.nodes[0], "gated", gated);
    round_of(&c, 0);
    for (unsigned i = 0; i < PW_LENGTH(ids); i++)
        ids[i] = start_at(&c, 0, "gated");
    gate_wait_entered(&c.nodes[0].gate, 4); /* all the threads it has */
    node_open(&c, 1);
    gate_open(&c.nodes[1].gate, UINT_MAX);
    fixture_close(&c.nodes[0]);
    round_of(&c, 1);
    EXPECT_INT(held(&c, 1), 64);
    finish_all(&c, ids, PW_LENGTH(ids), 0);
    EXPECT_INT(c.run_count, 8);
    cluster_done(&c);
}

TEST(leases, instances_of_a_partition_that_is_given_go_on_at_the_other_node)
{
    static cluster c;
    char *ids[40];
    cluster_init(&c, LEASE_MS);
    node_open(&c, 0);
    round_of(&c, 0);
    deploy(&c.nodes[0], "ask", approval);
    for (unsigned i = 0; i < PW_LENGTH(ids); i++)
        ids[i] = start_at(&c, 0, "ask");
    node_open(&c, 1);
    rounds(&c);
    unsigned moved = 0;
    for (unsigned i = 0; i < PW_LENGTH(ids); i++) {
        unsigned owner = owner_of(&c, ids[i]);
        EXPECT(owner < 2);
        moved += owner == 1;
        fixture *f = &c.nodes[owner];
        EXPECT_OK(pawl_resume(f->p, ids[i], "ok", "1", NULL, &f->err), f->err);
    }
    EXPECT(moved > 0 && moved < PW_LENGTH(ids));
    finish_all(&c, ids, PW_LENGTH(ids), 2);
    cluster_done(&c);
}

/* An instance of a partition that the first of two nodes will give: they are of the upper half. */
static char *start_to_move(cluster *c, const char *name)
{
    for (unsigned i = 0;; i++) {
        char key[16], id[PW_ID_SIZE];
        (void)snprintf(key, sizeof key, "k%u", i);
        const pw_str parts[] = { PW_LIT("test"), pw_str_of(name), pw_str_of(key) };
        pw_digest digest = pw_digest_of(parts, PW_LENGTH(parts));
        pw_id_of_digest(id, &digest);
        if (pw_store_partition(pw_str_of(id)) >= 32)
            return start_key(&c->nodes[0], name, key, NULL, NULL);
    }
}

TEST(leases, what_runs_in_a_partition_that_is_given_is_cancelled_and_repeated)
{
    static cluster c;
    cluster_init(&c, LEASE_MS);
    node_open(&c, 0);
    round_of(&c, 0);
    deploy(&c.nodes[0], "gated", gated);
    char *id = start_to_move(&c, "gated");
    gate *here = &c.nodes[0].gate, *there = &c.nodes[1].gate;
    gate_wait_entered(here, 1);
    node_open(&c, 1);
    rounds(&c);
    uint64_t deadline = pw_monotonic_ns() + WAIT_MS * 1000000ull;
    (void)pthread_mutex_lock(&here->lock);
    while (here->left == 0 && pw_condition_wait(&here->changed, &here->lock, deadline))
        ;
    EXPECT_INT(here->left, 1); /* nobody let it go */
    (void)pthread_mutex_unlock(&here->lock);
    gate_open(there, 1);
    gate_wait_entered(there, 1);
    EXPECT_INT(here->attempts[0], 1);
    EXPECT_INT(there->attempts[0], 2);
    EXPECT_TEXT(there->keys[0], here->keys[0]);
    finish_all(&c, &id, 1, 4);
    cluster_done(&c);
}

TEST(leases, a_watch_is_told_when_its_partition_is_given)
{
    static cluster c;
    cluster_init(&c, LEASE_MS);
    node_open(&c, 0);
    round_of(&c, 0);
    deploy(&c.nodes[0], "ask", approval);
    char *id = start_to_move(&c, "ask");
    pw_watch watch = { .message.kind = PW_MESSAGE_WATCH,
                       .instance = pw_str_of(id),
                       .kind = PW_WATCH_END };
    pawl_error err;
    EXPECT_OK(pw_reply_init(&watch.reply, &err), err);
    pw_mailbox_message(&pw_engine_shard_of(c.nodes[0].p, watch.instance)->mailbox, &watch.message);
    node_open(&c, 1);
    rounds(&c);
    EXPECT(pw_reply_wait(&watch.reply, pw_monotonic_ns() + WAIT_MS * 1000000ull));
    EXPECT_INT(watch.code, PAWL_BUSY);
    pw_reply_done(&watch.reply);
    EXPECT_INT(owner_of(&c, id), 1);
    pawl_free(id);
    cluster_done(&c);
}

TEST(leases, a_timer_fires_at_the_node_that_has_taken_over)
{
    static cluster c;
    cluster_init(&c, LEASE_MS);
    for (unsigned i = 0; i < 2; i++)
        fixture_clock(&c.nodes[i], 1800000000000u);
    node_open(&c, 0);
    round_of(&c, 0);
    deploy(&c.nodes[0], "sleep", "  - nap: {wait: {seconds: 60}}");
    char *id = start_at(&c, 0, "sleep");
    node_open(&c, 1);
    fixture_close(&c.nodes[0]);
    round_of(&c, 1);
    fixture_clock(&c.nodes[1], 1800000060000u);
    finish_all(&c, &id, 1, 2);
    cluster_done(&c);
}

/* ------------------------------------------------------------------ losing */

/* Its own clock says that all is well, and the store says that it is not: as after a pause that
 * nothing in the process has seen. */
TEST(leases, a_node_that_was_away_is_fenced_and_the_other_goes_on)
{
    static cluster c;
    char *ids[8], *asked;
    cluster_init(&c, LEASE_MS);
    node_open(&c, 0);
    round_of(&c, 0);
    fixture *away = &c.nodes[0], *there = &c.nodes[1];
    deploy(away, "gated", gated);
    deploy(away, "ask", approval);
    for (unsigned i = 0; i < PW_LENGTH(ids); i++)
        ids[i] = start_at(&c, 0, "gated");
    asked = start_at(&c, 0, "ask");
    gate_wait_entered(&away->gate, 4);
    cut_off(&c, 0);
    node_open(&c, 1);
    round_of(&c, 1);
    EXPECT_INT(held(&c, 0), 64); /* it believes so */
    EXPECT_INT(held(&c, 1), 64);
    EXPECT_INT(pawl_resume(away->p, asked, "ok", "1", NULL, &away->err), PAWL_BUSY);
    EXPECT_CONTAINS(away->err.message, "which is node 'node-b-");
    EXPECT_OK(pawl_resume(there->p, asked, "ok", "2", NULL, &there->err), there->err);
    gate_open(&away->gate, UINT_MAX); /* results that nobody may commit */
    gate_open(&there->gate, UINT_MAX);
    finish_all(&c, ids, PW_LENGTH(ids), 0);
    char *text = show(there, asked);
    EXPECT_ASK(text, "[.status, .output.value, .token]", "[\"completed\",2,2]");
    pawl_free(text);
    EXPECT_INT(c.run_count, 8);
    pw_memory_cut_off(away->p->store, false);
    rounds(&c);
    EXPECT_INT(held(&c, 0), 32);
    EXPECT_INT(held(&c, 1), 32);
    finish_all(&c, &asked, 1, 2);
    cluster_done(&c);
}

static void wait_until_none_held(cluster *c, unsigned i)
{
    uint64_t deadline = pw_monotonic_ns() + WAIT_MS * 1000000ull;
    while (held(c, i) > 0 && pw_monotonic_ns() < deadline)
        (void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    EXPECT_INT(held(c, i), 0);
}

TEST(leases, a_node_that_hears_nothing_for_a_lease_says_nothing)
{
    static cluster c;
    cluster_init(&c, 300);
    node_open(&c, 0);
    round_of(&c, 0);
    fixture *f = &c.nodes[0];
    deploy(f, "ask", approval);
    char *id = start_somewhere(&c, 0, "ask", NULL); /* a slow machine may lose it */
    pw_memory_cut_off(f->p->store, true);
    wait_until_none_held(&c, 0);
    EXPECT_INT(pawl_resume(f->p, id, "wrong", "1", NULL, &f->err), PAWL_BUSY);
    EXPECT_CONTAINS(f->err.message, "which this node does not have for now: try again");
    EXPECT_INT(pawl_wait(f->p, "00000000000000000000000000", PAWL_WAIT_END, 0, NULL, &f->err),
               PAWL_BUSY);
    EXPECT_INT(pawl_resume(f->p, id, "ok", "1", NULL, &f->err), PAWL_BUSY);
    pw_memory_cut_off(f->p->store, false);
    uint64_t deadline = pw_monotonic_ns() + WAIT_MS * 1000000ull;
    pawl_code code = PAWL_BUSY;
    while (code == PAWL_BUSY && pw_monotonic_ns() < deadline) {
        round_of(&c, 0);
        code = pawl_resume(f->p, id, "ok", "1", NULL, &f->err);
    }
    EXPECT_OK(code, f->err);
    finish_all(&c, &id, 1, 2);
    cluster_done(&c);
}

TEST(leases, a_commit_whose_outcome_is_unknown_is_found_by_its_epoch)
{
    static cluster c;
    cluster_init(&c, LEASE_MS);
    node_open(&c, 0);
    round_of(&c, 0);
    fixture *f = &c.nodes[0];
    deploy(f, "ask", approval);
    pw_memory_fail_commit(f->p->store, 1, true);
    int existed = -1;
    char *id = start_key(f, "ask", "k", NULL, &existed);
    EXPECT_INT(existed, 0);
    EXPECT_INT(check_steps(&c, id), 1);
    pw_memory_fail_commit(f->p->store, 1, true);
    EXPECT_OK(pawl_resume(f->p, id, "ok", "1", NULL, &f->err), f->err);
    finish_all(&c, &id, 1, 2);
    cluster_done(&c);
}

/* The step is there, with the number of its own: but it is of another epoch. */
TEST(leases, a_step_of_another_node_is_not_taken_for_its_own)
{
    static cluster c;
    cluster_init(&c, LEASE_MS);
    node_open(&c, 0);
    round_of(&c, 0);
    fixture *away = &c.nodes[0], *there = &c.nodes[1];
    deploy(away, "ask", approval);
    char *id = start_at(&c, 0, "ask");
    cut_off(&c, 0);
    node_open(&c, 1);
    round_of(&c, 1);
    EXPECT_OK(pawl_resume(there->p, id, "ok", "1", NULL, &there->err), there->err);
    pw_memory_fail_commit(away->p->store, 1, false);
    EXPECT_INT(pawl_resume(away->p, id, "ok", "2", NULL, &away->err), PAWL_CONFLICT);
    EXPECT_CONTAINS(away->err.message, "was answered before");
    char *text = show(there, id);
    EXPECT_ASK(text, "[.status, .output.value, .token]", "[\"completed\",1,2]");
    pawl_free(text);
    pawl_free(id);
    cluster_done(&c);
}

TEST(leases, each_owner_of_a_file_has_epochs_of_its_own)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    EXPECT(pw_leases_held(f.p->leases) == PW_ALL_PARTITIONS);
    deploy(&f, "ask", approval);
    char *id = start(&f, "ask", NULL);
    fixture_close(&f);
    fixture_open(&f);
    EXPECT_OK(pawl_resume(f.p, id, "ok", "1", NULL, &f.err), f.err);
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_step_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_steps(f.p->store, pw_str_of(id), 1, 9, &rows, &count, &arena, &f.err),
              f.err);
    EXPECT_INT(count, 2);
    EXPECT_INT(rows[0].epoch, 1);
    EXPECT_INT(rows[1].epoch, 2);
    pw_str node = { 0 };
    EXPECT_OK(pw_store_partition_node(f.p->store, 63, &node, &arena, &f.err), f.err);
    EXPECT_STR(node, pw_leases_node(f.p->leases));
    pw_arena_done(&arena);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ messages */

static const char hears_three[] =
    "  - hear: {listen: {to: {any: [{with: {type: m}}], until: '${ length == 3 }'}}}";

static void publish_at(cluster *c, unsigned i, int n)
{
    char text[200];
    (void)snprintf(text, sizeof text,
                   "{\"specversion\":\"1.0\",\"id\":\"%d\",\"source\":\"/s\",\"type\":\"m\","
                   "\"data\":%d}",
                   n, n);
    fixture *f = &c->nodes[i];
    EXPECT_OK(pawl_publish(f->p, text, NULL, NULL, &f->err), f->err);
}

TEST(leases, a_message_is_heard_whichever_node_takes_it_in_and_goes_on_with_the_next_owner)
{
    static cluster c;
    cluster_init(&c, LEASE_MS);
    node_open(&c, 0);
    node_open(&c, 1);
    rounds(&c);
    deploy(&c.nodes[0], "hears", hears_three);
    char *ids[4];
    for (unsigned i = 0; i < 4; i++)
        ids[i] = start_somewhere(&c, i % 2, "hears", NULL);
    publish_at(&c, 0, 1);
    publish_at(&c, 1, 2);
    fixture_close(&c.nodes[0]); /* what it had told nobody of is found by who takes over */
    rounds(&c);
    publish_at(&c, 1, 3);
    for (unsigned i = 0; i < 4; i++) {
        char *end = finish_somewhere(&c, ids[i]);
        EXPECT_ASK(end, "[.status, .output]", "[\"completed\",[1,2,3]]");
        pawl_free(end);
        pawl_free(ids[i]);
    }
    cluster_done(&c);
}

/* ------------------------------------------------------------------ all at once */

static void start_many(void *context, unsigned number)
{
    cluster *c = context;
    char *ids[40];
    for (unsigned i = 0; i < PW_LENGTH(ids); i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "k%u-%u", number, i);
        ids[i] = NULL;
        fixture *f = &c->nodes[(i + number) % 2]; /* the two that stay */
        const pawl_start_options options = {
            .struct_size = sizeof options, .name = "notes", .key = key, .input = "{\"n\":1}"
        };
        uint64_t deadline = pw_monotonic_ns() + WAIT_MS * 1000000ull;
        pawl_error err;
        pawl_code code = PAWL_BUSY;
        while (code == PAWL_BUSY && pw_monotonic_ns() < deadline) {
            code = pawl_start(f->p, &options, &ids[i], NULL, &err);
            f = &c->nodes[f == &c->nodes[0]];
            if (code == PAWL_BUSY)
                (void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
        }
        EXPECT_OK(code, err);
        pawl_free(ids[i]);
    }
}

static void join_and_leave(void *context, unsigned number)
{
    cluster *c = context;
    if (number > 0) {
        start_many(c, number);
        return;
    }
    for (unsigned i = 0; i < 6; i++) {
        node_open(c, 2);
        for (unsigned n = 0; n < NODES; n++)
            round_of(c, n);
        round_of(c, 2);
        fixture_close(&c->nodes[2]);
        round_of(c, 0);
        round_of(c, 1);
    }
}

TEST(leases, nothing_is_lost_or_done_twice_while_nodes_come_and_go)
{
    static cluster c;
    cluster_init(&c, LEASE_MS);
    node_open(&c, 0);
    node_open(&c, 1);
    rounds(&c);
    deploy(&c.nodes[0], "notes", two_notes);
    crew_run(4, join_and_leave, &c);
    rounds(&c);
    pawl_error err;
    char *text = NULL;
    const pawl_list_options all = { .struct_size = sizeof all, .limit = 1000 };
    EXPECT_OK(pawl_list(c.nodes[0].p, &all, &text, &err), err);
    EXPECT_ASK(text, ".instances | length", "120");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value list;
    EXPECT_OK(pw_json_parse(&list, pw_str_of(text), NULL, &arena, &err), err);
    list = pw_get_lit(list, "instances");
    for (size_t i = 0; i < list.count; i++) {
        char id[PW_ID_SIZE];
        (void)snprintf(id, sizeof id, PW_FMT, PW_ARG(pw_get_text(pw_item(list, i), "id")));
        char *end = finish_somewhere(&c, id);
        /* a node that leaves loses what it has in hand, and the fourth time is one too many */
        EXPECT_ASK(end, ".status == \"completed\" or (.error.title | test(\"lost too often\"))",
                   "true");
        pawl_free(end);
        EXPECT(check_steps(&c, id) >= 3);
    }
    pw_arena_done(&arena);
    pawl_free(text);
    EXPECT_INT(c.twice, 0);
    cluster_done(&c);
}

/* ------------------------------------------------------------------ jobs */

/* Up to `max` jobs of the node; their tokens, and how many. */
static unsigned take_jobs(cluster *c, unsigned i, uint32_t max, uint64_t wait_ms, char tokens[][128])
{
    static const char *const functions[] = { "pack" };
    const pawl_poll_options options = { .struct_size = sizeof options,
                                        .functions = functions,
                                        .function_count = 1,
                                        .max = max,
                                        .wait_ms = wait_ms,
                                        .lease_ms = 60000 };
    fixture *f = &c->nodes[i];
    char *jobs = NULL;
    EXPECT_OK(pawl_jobs_poll(f->p, &options, &jobs, &f->err), f->err);
    unsigned count = (unsigned)strtoul(ask(jobs, ".jobs | length"), NULL, 10);
    for (unsigned n = 0; n < count; n++) {
        char question[64];
        (void)snprintf(question, sizeof question, ".jobs[%u].token", n);
        (void)snprintf(tokens[n], 128, "%s", ask(jobs, question) + 1);
        tokens[n][strlen(tokens[n]) - 1] = '\0';
    }
    pawl_free(jobs);
    return count;
}

/* "ready unsure leased" of a node. */
static const char *jobs_of(cluster *c, unsigned i)
{
    fixture *f = &c->nodes[i];
    char *text = NULL;
    EXPECT_OK(pawl_jobs(f->p, NULL, &text, &f->err), f->err);
    const char *counts = ask(text, "[.functions[] | .ready, .unsure, .leased]");
    pawl_free(text);
    return counts;
}

TEST(leases, jobs_go_with_their_partitions_and_their_workers_stay_with_them)
{
    enum { JOBS = 64 };
    static cluster c;
    static char tokens[JOBS][128];
    cluster_init(&c, LEASE_MS);
    node_open(&c, 0);
    deploy(&c.nodes[0], "packing", "  - pack: {call: pack, with: {}}");
    for (unsigned n = 0; n < JOBS; n++)
        pawl_free(start(&c.nodes[0], "packing", NULL));
    EXPECT_INT(take_jobs(&c, 0, JOBS, WAIT_MS, tokens), JOBS);
    EXPECT_TEXT(jobs_of(&c, 0), "[0,0,64]");
    node_open(&c, 1);
    rounds(&c);
    EXPECT_INT(held(&c, 0), 32);
    EXPECT_INT(held(&c, 1), 32);
    EXPECT_OK(pawl_drain(c.nodes[1].p, WAIT_MS, &c.nodes[1].err), c.nodes[1].err);
    unsigned moved = 0;
    for (unsigned n = 0; n < JOBS; n++) {
        char id[PW_ID_SIZE] = "";
        memcpy(id, tokens[n], PW_ID_LENGTH);
        fixture *owner = &c.nodes[owner_of(&c, id)], *other = &c.nodes[1 - owner_of(&c, id)];
        char *told = NULL;
        moved += owner == &c.nodes[1];
        EXPECT_INT(pawl_job_complete(other->p, tokens[n], "1", NULL, NULL, &other->err), PAWL_BUSY);
        EXPECT_INT(pawl_job_heartbeat(other->p, tokens[n], 0, NULL, NULL, &other->err), PAWL_BUSY);
        EXPECT_OK(pawl_job_heartbeat(owner->p, tokens[n], 0, NULL, &told, &owner->err), owner->err);
        EXPECT_ASK(told, ".cancelled", "false");
        pawl_free(told);
        EXPECT_OK(pawl_job_complete(owner->p, tokens[n], "1", NULL, &told, &owner->err), owner->err);
        EXPECT_TEXT(told, "{\"repeated\":false}");
        pawl_free(told);
        char *text = finish(owner, id);
        EXPECT_ASK(text, "[.status, .token]", "[\"completed\",2]");
        pawl_free(text);
    }
    EXPECT(moved > 0 && moved < JOBS);
    cluster_done(&c);
}

TEST(leases, jobs_of_a_node_that_died_are_handed_out_again_after_a_lease_as_the_next_attempt)
{
    enum { JOBS = 20 };
    static cluster c;
    static char before[JOBS][128], after[JOBS][128];
    char *ids[JOBS];
    cluster_init(&c, LEASE_MS);
    for (unsigned i = 0; i < 2; i++)
        c.nodes[i].options.job_lease_ms = 200;
    node_open(&c, 0);
    deploy(&c.nodes[0], "packing", "  - pack: {call: pack, with: {}}");
    for (unsigned n = 0; n < JOBS; n++)
        ids[n] = start(&c.nodes[0], "packing", NULL);
    EXPECT_INT(take_jobs(&c, 0, JOBS, WAIT_MS, before), JOBS);
    cut_off(&c, 0);
    node_open(&c, 1);
    round_of(&c, 1);
    EXPECT_INT(held(&c, 1), 64);
    unsigned taken = 0;
    while (taken < JOBS)
        taken += take_jobs(&c, 1, JOBS - taken, 1000, after + taken);
    fixture *f = &c.nodes[1];
    for (unsigned n = 0; n < JOBS; n++)
        EXPECT_INT(pawl_job_complete(f->p, before[n], "1", NULL, NULL, &f->err), PAWL_LOST);
    for (unsigned n = 0; n < JOBS; n++)
        EXPECT_OK(pawl_job_complete(f->p, after[n], "2", NULL, NULL, &f->err), f->err);
    for (unsigned n = 0; n < JOBS; n++) {
        char *text = finish(f, ids[n]);
        EXPECT_ASK(text, "[.status, .output, .token]", "[\"completed\",2,3]");
        pawl_free(text);
        pawl_free(ids[n]);
    }
    cluster_done(&c);
}

TEST_MAIN()
