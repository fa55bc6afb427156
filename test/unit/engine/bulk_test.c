/* bulk_test.c - bulk operations: their work alone, by several nodes on one store with an actor that
 * dies, is stopped or fails where a test says so; and all of it through the library. */
#include "fixture.h"
#include "store/memory/memory.h"

enum { INSTANCES = 25, PAGE = 10, NODES = 3, LEASE_MS = 5000 };

/* ------------------------------------------------------------------ the work alone */

typedef struct node {
    struct scene *scene;
    char name[8];
    pw_store *store;
    pw_bulks *bulks;
    unsigned busy;
} node;

typedef struct scene {
    node nodes[NODES];
    pw_store *store;
    int64_t now_ms;
    unsigned asked[INSTANCES]; /* so often each was acted upon: the first time has an effect */
    unsigned acts;             /* in all */
    unsigned stop_at;          /* a person stops the operation during this act; 0: never */
    unsigned die_at;           /* the engine closes at this act */
    bool lose_answer;          /* and it has had its effect */
    char said[1024];           /* why it does not go on; "": it does */
    unsigned side_by_side;     /* 0: one after the other */
    pthread_mutex_t lock;
    pw_arena arena;
    pawl_error err;
} scene;

static pw_bulk row_of(scene *s)
{
    pw_bulk row;
    EXPECT_OK(pw_store_bulk_get(s->store, PW_LIT("b1"), &row, NULL, NULL, &s->arena, &s->err),
              s->err);
    return row;
}

static void set_state(scene *s, pw_bulk_state state)
{
    pw_bulk row = row_of(s);
    bool won = false;
    row.state = state;
    row.stopped_by = state == PW_BULK_STOPPED ? PW_LIT("ann") : PW_LIT("");
    EXPECT_OK(pw_store_bulk_set(s->store, &row, NULL, 0, &won, &s->err), s->err);
    EXPECT(won);
}

/* Instances 3 and 14 cannot be helped; 7 is over before its turn comes. */
static pawl_code effect(unsigned i, pawl_error *err)
{
    if (i == 3 || i == 14)
        return pw_fail(err, PAWL_INVALID, "instance %u has no such task", i);
    return i == 7 ? pw_fail_reason(err, PAWL_STATE, PAWL_REASON_NO_INCIDENT, "it is over")
                  : PAWL_OK;
}

static pawl_code act_once(scene *s, const pawl_act_options *options, const pawl_request *request,
                          pawl_error *err)
{
    unsigned i = (unsigned)strtoul(options->id + 20, NULL, 10);
    EXPECT(i < INSTANCES);
    EXPECT_INT(options->action, PAWL_RETRY);
    EXPECT_TEXT(options->reason, "the service is back");
    EXPECT_TEXT(request->actor, "kim");
    EXPECT_TEXT(request->idempotency_key, "bulk:b1");
    s->acts++;
    if (s->acts == s->stop_at)
        set_state(s, PW_BULK_STOPPED);
    if (s->acts == s->die_at && !s->lose_answer)
        return pw_fail(err, PAWL_BUSY, "closing");
    s->asked[i]++;
    if (s->acts == s->die_at)
        return pw_fail(err, PAWL_IO, "the answer is lost");
    return effect(i, err);
}

static pawl_code act(void *context, const pawl_act_options *options, const pawl_request *request,
                     pawl_error *err)
{
    scene *s = ((node *)context)->scene;
    (void)pthread_mutex_lock(&s->lock);
    pawl_code code = act_once(s, options, request, err);
    (void)pthread_mutex_unlock(&s->lock);
    return code;
}

static int64_t now_ms(void *context)
{
    return ((node *)context)->scene->now_ms;
}

static void busy(void *context, bool more)
{
    node *n = context;
    EXPECT_INT(n->busy, more ? 0 : 1);
    n->busy = more;
}

static void trouble(void *context, pw_str id, const pawl_error *err)
{
    scene *s = ((node *)context)->scene;
    if (err->code != PAWL_OK)
        (void)snprintf(s->said, sizeof s->said, PW_FMT ": %s", PW_ARG(id), err->message);
    else if (strncmp(s->said, id.ptr, id.len) == 0)
        s->said[0] = '\0';
}

static void open_node(scene *s, unsigned i, bool alone)
{
    node *n = &s->nodes[i];
    n->scene = s;
    (void)snprintf(n->name, sizeof n->name, "node-%u", i);
    EXPECT_OK(pw_memory_share(s->store, &n->store, &s->err), s->err);
    const pw_bulks_options options = { .store = n->store,
                                       .node = pw_str_of(n->name),
                                       .alone = alone,
                                       .lease_ms = LEASE_MS,
                                       .page = PAGE,
                                       .side_by_side = s->side_by_side ? s->side_by_side : 1,
                                       .context = n,
                                       .act = act,
                                       .now_ms = now_ms,
                                       .busy = busy,
                                       .trouble = trouble };
    EXPECT_OK(pw_bulks_new(&n->bulks, &options, &s->err), s->err);
    EXPECT_INT(n->busy, 1); /* it has not looked yet */
}

static void close_node(scene *s, unsigned i)
{
    node *n = &s->nodes[i];
    if (!n->bulks)
        return;
    pw_bulks_stop(n->bulks);
    EXPECT(!pw_bulks_work(n->bulks, true));
    pw_bulks_free(n->bulks);
    pw_store_close(n->store);
    EXPECT_INT(n->busy, 0);
    n->bulks = NULL;
}

/* An instance with an open incident, of the definition shop/order. */
static void have_incident(scene *s, unsigned i)
{
    char id[32];
    (void)snprintf(id, sizeof id, "01kaq0f3s70000000000%06u", i);
    pw_fault fault = { .task = PW_LIT("/do/0/pay"),
                       .visit = 1,
                       .kind = PW_LIT("external-call-fault"),
                       .error = PW_LIT("{\"status\":503}"),
                       .class_ = PW_LIT("server-error"),
                       .attempt = 1,
                       .decision = PW_LIT("incident"),
                       .action = PW_LIT("look at it") };
    const pw_instance_new create = { .namespace_ = PW_LIT("shop"),
                                     .name = PW_LIT("order"),
                                     .version = PW_LIT("1.0.0"),
                                     .input_digest = PW_LIT("d") };
    const pw_transition t = { .changed = true,
                              .status = PW_FAULTED,
                              .wake_at = PW_WAKE_NEVER,
                              .state_text = PW_LIT("{}"),
                              .entries = PW_LIT("[]"),
                              .error = PW_LIT("{\"status\":503}"),
                              .fault = &fault };
    pw_commit_item item = { .instance = pw_str_of(id),
                            .create = &create,
                            .transition = &t,
                            .event = PW_EVENT_START,
                            .now_ms = 1000 + i };
    EXPECT_OK(pw_store_commit(s->store, &item, 1, &s->err), s->err);
    EXPECT_OK(item.code, item.error);
}

static void have_operation(scene *s)
{
    const pw_bulk row = {
        .id = PW_LIT("b1"),
        .request = PW_LIT("{\"action\":\"retry\",\"reason\":\"the service is back\",\"filter\":{"
                          "\"name\":\"shop/order\"},\"before\":5000}"),
        .actor = PW_LIT("kim"),
        .created_ms = 5000,
        .counted = INSTANCES,
        .lease_ms = -1,
        .changed_ms = 5000,
        .ended_ms = -1
    };
    bool won = false;
    EXPECT_OK(pw_store_bulk_set(s->store, &row, NULL, 0, &won, &s->err), s->err);
}

static void begin(scene *s)
{
    memset(s, 0, sizeof *s);
    pw_arena_init(&s->arena, 0);
    (void)pthread_mutex_init(&s->lock, NULL);
    s->now_ms = 1000000;
    const pw_store_options options = { pw_str_of("memory:"), PW_STORE_OWN, true };
    EXPECT_OK(pw_store_open(&s->store, &options, &s->err), s->err);
    bool created = false;
    const pw_definition definition = { .namespace_ = PW_LIT("shop"),
                                       .name = PW_LIT("order"),
                                       .version = PW_LIT("1.0.0"),
                                       .digest = PW_LIT("d"),
                                       .document = PW_LIT("do: []"),
                                       .level = 1 };
    EXPECT_OK(pw_store_definition_put(s->store, &definition, &created, &s->err), s->err);
    for (unsigned i = 0; i < INSTANCES; i++)
        have_incident(s, i);
    have_operation(s);
}

static void end(scene *s)
{
    for (unsigned i = 0; i < NODES; i++)
        close_node(s, i);
    pw_store_close(s->store);
    (void)pthread_mutex_destroy(&s->lock);
    pw_arena_done(&s->arena);
}

/* All that the node can do now. */
static void work(scene *s, unsigned i)
{
    while (pw_bulks_work(s->nodes[i].bulks, false))
        ;
}

static void counts(scene *s, pw_bulk_state state, uint64_t done, uint64_t skipped, uint64_t failed)
{
    const pw_bulk row = row_of(s);
    EXPECT_INT(row.state, state);
    EXPECT_INT(row.done, done);
    EXPECT_INT(row.skipped, skipped);
    EXPECT_INT(row.failed, failed);
}

/* Done whole: 22 of 25, with the two that failed, newest first, as pages are. */
static void is_whole(scene *s)
{
    pw_bulk row;
    pw_bulk_failure *failures = NULL;
    size_t count = 0;
    counts(s, PW_BULK_DONE, 22, 1, 2);
    EXPECT_OK(
        pw_store_bulk_get(s->store, PW_LIT("b1"), &row, &failures, &count, &s->arena, &s->err),
        s->err);
    EXPECT_INT(count, 2);
    EXPECT_STR(failures[0].instance, "01kaq0f3s70000000000000014");
    EXPECT_STR(failures[0].code, "invalid");
    EXPECT_STR(failures[0].message, "instance 14 has no such task");
    EXPECT_STR(failures[1].instance, "01kaq0f3s70000000000000003");
    EXPECT_STR(row.node, "");
    EXPECT_STR(row.page, "");
    EXPECT_INT(row.ended_ms, 1000000);
}

TEST(bulk, each_instance_that_was_there_gets_its_action_once)
{
    scene s;
    begin(&s);
    open_node(&s, 0, true);
    work(&s, 0);
    EXPECT_INT(s.acts, INSTANCES);
    for (unsigned i = 0; i < INSTANCES; i++)
        EXPECT_INT(s.asked[i], 1);
    is_whole(&s);
    EXPECT_INT(row_of(&s).epoch,
               5); /* put, claimed with the first page, and a write behind each of three */
    EXPECT_INT(s.nodes[0].busy, 0);
    end(&s);
}

TEST(bulk, side_by_side_each_gets_it_once_and_failures_stand_in_the_order_of_the_page)
{
    scene s;
    begin(&s);
    s.side_by_side = 8;
    open_node(&s, 0, true);
    work(&s, 0);
    EXPECT_INT(s.acts, INSTANCES);
    for (unsigned i = 0; i < INSTANCES; i++)
        EXPECT_INT(s.asked[i], 1);
    is_whole(&s);
    end(&s);
}

TEST(bulk, a_page_that_a_crash_cut_off_is_carried_out_again_and_counted_once)
{
    for (unsigned lose_answer = 0; lose_answer < 2; lose_answer++) {
        scene s;
        begin(&s);
        s.die_at = 15;
        s.lose_answer = lose_answer;
        open_node(&s, 0, true);
        work(&s, 0); /* the second page ends at its fifth */
        EXPECT_INT(s.acts, 15);
        counts(&s, PW_BULK_RUNNING, 10, 0, 0);
        EXPECT_TEXT(s.said, lose_answer ? "b1: the answer is lost" : "b1: closing");
        EXPECT_INT(s.nodes[0].busy, 1); /* there is more to do */
        close_node(&s, 0);
        open_node(&s, 1, true);
        work(&s, 1);
        EXPECT_INT(s.acts, 15 + 10 + 5);
        EXPECT_TEXT(s.said, "");
        for (unsigned i = 0; i < INSTANCES; i++) /* the first four, or five, of the second page */
            EXPECT_INT(s.asked[i], i <= 14 && i > 10 - lose_answer ? 2 : 1);
        is_whole(&s);
        end(&s);
    }
}

TEST(bulk, a_stop_takes_effect_behind_the_page_and_the_rest_may_follow)
{
    scene s;
    begin(&s);
    s.stop_at = 3;
    open_node(&s, 0, true);
    work(&s, 0);
    EXPECT_INT(s.acts, PAGE);
    counts(&s, PW_BULK_STOPPED, 10, 0, 0);
    EXPECT_STR(row_of(&s).page, "");
    EXPECT_STR(row_of(&s).stopped_by, "ann");
    EXPECT_INT(s.nodes[0].busy, 0);
    set_state(&s, PW_BULK_RUNNING);
    work(&s, 0); /* nobody has told it */
    pw_bulks_wake(s.nodes[0].bulks);
    work(&s, 0);
    EXPECT_INT(s.acts, INSTANCES);
    is_whole(&s);
    end(&s);
}

TEST(bulk, one_that_is_stopped_before_it_began_begins_when_it_is_let_go_on)
{
    scene s;
    begin(&s);
    set_state(&s, PW_BULK_STOPPED);
    open_node(&s, 0, true);
    work(&s, 0);
    EXPECT_INT(s.acts, 0);
    set_state(&s, PW_BULK_RUNNING);
    pw_bulks_wake(s.nodes[0].bulks);
    work(&s, 0);
    is_whole(&s);
    end(&s);
}

TEST(bulk, one_that_was_stopped_as_its_process_died_ends_the_page_and_stays_stopped)
{
    scene s;
    begin(&s);
    s.stop_at = 12;
    s.die_at = 15;
    open_node(&s, 0, true);
    work(&s, 0);
    close_node(&s, 0);
    EXPECT(row_of(&s).page.len > 0);
    open_node(&s, 1, true);
    work(&s, 1);
    EXPECT_INT(s.acts, 25);
    counts(&s, PW_BULK_STOPPED, 18, 1, 1);
    EXPECT_STR(row_of(&s).stopped_by, "ann");
    end(&s);
}

TEST(bulk, one_that_is_stopped_in_its_last_page_is_done)
{
    scene s;
    begin(&s);
    s.stop_at = 23;
    open_node(&s, 0, true);
    work(&s, 0);
    is_whole(&s);
    EXPECT_STR(row_of(&s).stopped_by, "ann");
    end(&s);
}

TEST(bulk, of_two_nodes_one_works_until_its_lease_is_over)
{
    scene s;
    begin(&s);
    s.die_at = 15;
    open_node(&s, 0, false);
    open_node(&s, 1, false);
    work(&s, 0);
    EXPECT_INT(s.acts, 15);
    EXPECT_STR(row_of(&s).node, "node-0");
    work(&s, 1);
    EXPECT_INT(s.acts, 15); /* it is another's */
    s.now_ms += LEASE_MS - 1;
    pw_bulks_wake(s.nodes[1].bulks);
    work(&s, 1);
    EXPECT_INT(s.acts, 15);
    s.now_ms++;
    pw_bulks_wake(s.nodes[1].bulks);
    s.die_at = 18; /* it has the page now, and dies in it, too */
    work(&s, 1);
    EXPECT_INT(s.acts, 18);
    EXPECT_STR(row_of(&s).node, "node-1");
    pw_bulks_wake(s.nodes[0].bulks);
    work(&s, 0);
    EXPECT_INT(s.acts, 18);
    counts(&s, PW_BULK_RUNNING, 10, 0, 0);
    work(&s, 1);
    counts(&s, PW_BULK_DONE, 22, 1, 2);
    end(&s);
}

TEST(bulk, a_request_that_cannot_be_read_says_so_and_holds_up_nobody)
{
    scene s;
    begin(&s);
    const pw_bulk bad = { .id = PW_LIT("b0"),
                          .request = PW_LIT("{\"action\":\"melt\",\"before\":5000}"),
                          .created_ms = 4000,
                          .lease_ms = -1,
                          .ended_ms = -1 };
    bool won = false;
    EXPECT_OK(pw_store_bulk_set(s.store, &bad, NULL, 0, &won, &s.err), s.err);
    open_node(&s, 0, true);
    work(&s, 0);
    EXPECT_TEXT(s.said, "b0: bulk: action is retry, skip, goto, fail, cancel or compensate");
    EXPECT_INT(s.nodes[0].busy, 0); /* nothing is to come of it */
    is_whole(&s);
    end(&s);
}

/* ------------------------------------------------------------------ by the library */

static pawl_code bulk_as(fixture *f, const pawl_bulk_options *options, const char *once, char **out)
{
    const pawl_request request = { .struct_size = sizeof request,
                                   .actor = "kim",
                                   .idempotency_key = once };
    return pawl_bulk_start(f->p, options, &request, out, &f->err);
}

static pawl_bulk_options fail_all(void)
{
    return (pawl_bulk_options){ .struct_size = sizeof(pawl_bulk_options),
                                .action = PAWL_FAIL,
                                .reason = "too late" };
}

/* The id of what pawl_bulk_start gave. */
static const char *id_of(const char *started)
{
    static char id[64];
    (void)snprintf(id, sizeof id, "%s", ask(started, ".id") + 1);
    id[strlen(id) - 1] = '\0';
    return id;
}

static char *ended(fixture *f, const char *started)
{
    char *out = NULL;
    EXPECT_OK(pawl_drain(f->p, WAIT_MS, &f->err), f->err);
    EXPECT_OK(pawl_bulk(f->p, id_of(started), &out, &f->err), f->err);
    return out;
}

static void have_faulted(fixture *f, const char *name, unsigned count)
{
    char input[32];
    deploy(f, name, "  - work: {call: failing}\n");
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(input, sizeof input, "{\"n\":%u}", i);
        pawl_free(start(f, name, input));
    }
    EXPECT_OK(pawl_drain(f->p, WAIT_MS, &f->err), f->err);
}

static int open_incidents(fixture *f, const char *name)
{
    char *list = NULL;
    const pawl_incidents_options options = { .struct_size = sizeof options,
                                             .name = name,
                                             .limit = 1000 };
    EXPECT_OK(pawl_incidents(f->p, &options, &list, &f->err), f->err);
    int count = (int)strtol(ask(list, ".incidents | length"), NULL, 10);
    pawl_free(list);
    return count;
}

TEST(bulk, it_is_counted_first_and_then_done_and_reported)
{
    fixture f;
    char *out = NULL, *again = NULL, *list = NULL;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    have_faulted(&f, "a", 130);
    have_faulted(&f, "b", 20);
    pawl_bulk_options options = fail_all();
    options.name = "test/a";
    options.dry_run = 1;
    EXPECT_OK(bulk_as(&f, &options, NULL, &out), f.err);
    EXPECT_TEXT(out, "{\"counted\":130}");
    pawl_free(out);
    EXPECT_INT(open_incidents(&f, "test/a"), 130);
    options.dry_run = 0;
    EXPECT_OK(bulk_as(&f, &options, "k1", &out), f.err);
    EXPECT_ASK(out, "[.action,.counted,.actor,.reason,.filter]",
               "[\"fail\",130,\"kim\",\"too late\",{\"name\":\"test/a\"}]");
    EXPECT_OK(bulk_as(&f, &options, "k1", &again), f.err); /* no second one */
    EXPECT_ASK(again, ".id", ask(out, ".id"));
    pawl_free(again);
    again = ended(&f, out);
    EXPECT_ASK(again,
               "[.state,.done,.skipped,.failed,.failures,has(\"endedAt\"),has(\"stoppedBy\")]",
               "[\"done\",130,0,0,[],true,false]");
    EXPECT_INT(open_incidents(&f, "test/a"), 0);
    EXPECT_INT(open_incidents(&f, "test/b"), 20);
    const pawl_incidents_options all = { .struct_size = sizeof all, .all = 1, .limit = 200 };
    EXPECT_OK(pawl_incidents(f.p, &all, &list, &f.err), f.err);
    EXPECT_ASK(list,
               "[.incidents[] | select(.name == \"a\") | [.resolution, .resolvedBy]] | unique",
               "[[\"failed\",\"kim\"]]");
    pawl_free(list);
    pawl_free(out);
    EXPECT_OK(pawl_bulks(f.p, NULL, 0, &list, &f.err), f.err);
    EXPECT_ASK(list, "[(.bulks | length), .bulks[0].done, has(\"next\"), .bulks[0].failures]",
               "[1,130,false,null]");
    for (int go_on = 0; go_on < 2; go_on++)
        EXPECT_INT(pawl_bulk_stop(f.p, id_of(again), go_on, NULL, NULL, &f.err), PAWL_STATE);
    pawl_free(list);
    pawl_free(again);
    fixture_done(&f);
}

TEST(bulk, what_faults_again_is_not_tried_twice)
{
    fixture f;
    char *out = NULL;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    have_faulted(&f, "a", 12);
    pawl_bulk_options options = fail_all();
    options.action = PAWL_RETRY;
    EXPECT_OK(bulk_as(&f, &options, NULL, &out), f.err);
    char *report = ended(&f, out);
    EXPECT_ASK(report, "[.state,.counted,.done,.skipped,.failed]", "[\"done\",12,12,0,0]");
    EXPECT_INT(open_incidents(&f, NULL), 12); /* new ones */
    pawl_free(report);
    pawl_free(out);
    fixture_done(&f);
}

TEST(bulk, filters_are_of_name_version_task_type_class_label_namespace_and_age)
{
    static const struct {
        pawl_bulk_options options;
        const char *counted;
    } cases[] = {
        { { .name = "a" }, "{\"counted\":3}" },
        { { .name = "test/b" }, "{\"counted\":2}" },
        { { .name = "other/b" }, "{\"counted\":0}" },
        { { .version = "1.0.0" }, "{\"counted\":5}" },
        { { .version = "1.0.1" }, "{\"counted\":0}" },
        { { .at_task = "/do/0/work" }, "{\"counted\":5}" },
        { { .at_task = "/do/0/play" }, "{\"counted\":0}" },
        { { .type = "activity-fault" }, "{\"counted\":5}" },
        { { .type = "startup-fault" }, "{\"counted\":0}" },
        { { .error_class = "argument" }, "{\"counted\":5}" },
        { { .error_class = "timeout" }, "{\"counted\":0}" },
        { { .labels = "{\"city\":\"Ulm\"}" }, "{\"counted\":0}" },
        { { .namespaces = "[\"test\",\"x\"]" }, "{\"counted\":5}" },
        { { .namespaces = "[\"x\"]" }, "{\"counted\":0}" },
        { { .namespaces = "[]" }, "{\"counted\":0}" },
        { { .older_ms = 999 }, "{\"counted\":5}" },
        { { .older_ms = 1000 }, "{\"counted\":5}" },
        { { .older_ms = 1001 }, "{\"counted\":0}" },
    };
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    fixture_clock(&f, 1000000000);
    have_faulted(&f, "a", 3);
    have_faulted(&f, "b", 2);
    fixture_clock(&f, 1000001000);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        char *out = NULL;
        pawl_bulk_options options = cases[i].options;
        options.struct_size = sizeof options;
        options.action = PAWL_RETRY;
        options.dry_run = 1;
        EXPECT_OK(bulk_as(&f, &options, NULL, &out), f.err);
        if (strcmp(out, cases[i].counted) != 0)
            fail_msg("case %zu: %s", i, out);
        pawl_free(out);
    }
    fixture_done(&f);
}

TEST(bulk, what_cannot_be_meant_is_refused)
{
    static const struct {
        pawl_bulk_options options;
        const char *message;
    } cases[] = {
        { { .action = PAWL_SUSPEND }, "action is retry, skip, goto, fail, cancel or compensate" },
        { { .action = PAWL_EDIT }, "action is retry, skip" },
        { { .action = PAWL_FAIL, .input = "1" }, "fail takes no input" },
        { { .action = PAWL_RETRY, .output = "1" }, "retry takes no output" },
        { { .action = PAWL_SKIP, .task = "/do/0/x" }, "skip takes no task" },
        { { .action = PAWL_CANCEL, .confirmed = 1 }, "cancel takes no confirmation" },
        { { .action = PAWL_COMPENSATE, .task = "/do/0/x" }, "compensate takes no task" },
        { { .action = PAWL_GOTO }, "goto needs a task" },
        { { .action = PAWL_RETRY, .input = "{" }, "bulk: input" },
        { { .action = PAWL_RETRY, .type = "bad-luck" }, "type is startup-fault" },
        { { .action = PAWL_RETRY, .error_class = "bad-luck" }, "no class 'bad-luck'" },
        { { .action = PAWL_RETRY, .labels = "[]" }, "must be an object of texts" },
        { { .action = PAWL_RETRY, .labels = "{\"a\":1}" }, "must be a text" },
        { { .action = PAWL_RETRY, .namespaces = "{}" }, "namespaces" },
        { { .action = PAWL_RETRY, .older_ms = UINT64_MAX }, "nothing is so old" },
        { { .action = PAWL_RETRY, .reason = "\xff" }, "bulk: reason is not UTF-8" },
    };
    fixture f;
    char *out = NULL;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl_bulk_options options = cases[i].options;
        options.struct_size = sizeof options;
        EXPECT_INT(bulk_as(&f, &options, NULL, &out), PAWL_INVALID);
        EXPECT_CONTAINS(f.err.message, cases[i].message);
    }
    EXPECT_INT(pawl_bulk_start(f.p, NULL, NULL, &out, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_bulk(f.p, "x", &out, &f.err), PAWL_NOT_FOUND);
    EXPECT_INT(f.err.reason, PAWL_REASON_NO_BULK);
    EXPECT_INT(pawl_bulk(f.p, "", &out, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_bulks(f.p, "x", 0, &out, &f.err), PAWL_NOT_FOUND);
    EXPECT_INT(pawl_bulks(f.p, NULL, 1001, &out, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_bulk_stop(f.p, "x", 0, NULL, &out, &f.err), PAWL_NOT_FOUND);
    EXPECT_OK(pawl_bulks(f.p, NULL, 0, &out, &f.err), f.err);
    EXPECT_TEXT(out, "{\"bulks\":[]}"); /* nothing of it was started */
    pawl_free(out);
    fixture_done(&f);
}

TEST(bulk, what_was_stopped_goes_on_with_the_next_process)
{
    fixture f;
    char *out = NULL, *stopped = NULL;
    fixture_init(&f, NULL);
    fixture_open(&f);
    have_faulted(&f, "a", 5);
    const pawl_request ann = { .struct_size = sizeof ann, .actor = "ann" };
    pw_bulks_stop(f.p->bulks); /* as if the process died before its first page */
    const pawl_bulk_options options = fail_all();
    EXPECT_OK(bulk_as(&f, &options, NULL, &out), f.err);
    EXPECT_OK(pawl_bulk_stop(f.p, id_of(out), 0, &ann, &stopped, &f.err), f.err);
    EXPECT_ASK(stopped, "[.state,.stoppedBy,.done]", "[\"stopped\",\"ann\",0]");
    pawl_free(stopped);
    EXPECT_OK(pawl_bulk_stop(f.p, id_of(out), 0, NULL, NULL, &f.err), f.err); /* no effect */
    fixture_close(&f);
    fixture_open(&f);
    stopped = ended(&f, out);
    EXPECT_ASK(stopped, "[.state,.stoppedBy,.done]", "[\"stopped\",\"ann\",0]");
    pawl_free(stopped);
    pw_bulks_stop(f.p->bulks);
    EXPECT_OK(pawl_bulk_stop(f.p, id_of(out), 1, &ann, NULL, &f.err), f.err);
    fixture_close(&f);
    fixture_open(&f);
    stopped = ended(&f, out);
    EXPECT_ASK(stopped, "[.state,has(\"stoppedBy\"),.done]", "[\"done\",false,5]");
    pawl_free(stopped);
    pawl_free(out);
    fixture_done(&f);
}

TEST_MAIN()
