/* incidents_test.c - what people see of faults and what they do about them, by the library. */
#include "fixture.h"

#define RAISE "  - no: {raise: {error: {type: 'http://e/x', status: 418, title: No}}}\n"

static char *incidents(fixture *f, const pawl_incidents_options *options)
{
    char *out = NULL;
    EXPECT_OK(pawl_incidents(f->p, options, &out, &f->err), f->err);
    return out;
}

static char *every(fixture *f)
{
    const pawl_incidents_options all = { .struct_size = sizeof all, .all = 1 };
    return incidents(f, &all);
}

static pawl_code change(fixture *f, const char *id, pawl_change what, const char *once,
                        uint64_t token, char **out)
{
    const pawl_request request = {
        .struct_size = sizeof request, .actor = "ann", .idempotency_key = once, .if_token = token
    };
    return pawl_change_with(f->p, id, what, "because", &request, out, &f->err);
}

/* An instance whose function says that no attempt can help. */
static char *faulted(fixture *f, char incident[64])
{
    deploy(f, "bad", "  - work: {call: failing, with: {n: 1}}\n");
    char *id = start(f, "bad", "{\"in\":2}");
    pawl_free(finish(f, id));
    char *list = incidents(f, NULL);
    (void)snprintf(incident, 64, "%s", ask(list, ".incidents[0].id"));
    memmove(incident, incident + 1, strlen(incident) - 2);
    incident[strlen(incident) - 2] = '\0';
    pawl_free(list);
    return id;
}

TEST(incidents, a_fault_is_listed_shown_and_named_by_instance_and_step)
{
    fixture f;
    char name[64], expected[64], *one = NULL, *same = NULL;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    char *id = faulted(&f, name);
    (void)snprintf(expected, sizeof expected, "%s-2", id);
    EXPECT_TEXT(name, expected);
    EXPECT_OK(pawl_incident(f.p, name, &one, &f.err), f.err);
    EXPECT_OK(pawl_incident(f.p, id, &same, &f.err), f.err);
    EXPECT_TEXT(one, same);
    EXPECT_ASK(
        one,
        "[.namespace,.name,.version,.status,.task,.type,.class,.attempts,.decision,.open,.token]",
        "[\"test\",\"bad\",\"1.0.0\",\"faulted\",\"/do/0/"
        "work\",\"activity-fault\",\"argument\",1,\"incident\",true,2]");
    EXPECT_ASK(one, "[.definition,.input,.calls,.error.status]",
               "[{\"call\":\"failing\",\"with\":{\"n\":1}},{\"in\":2},[],422]");
    EXPECT_ASK(one, ".recommendedAction | length > 40", "true");
    EXPECT_ASK(one, "has(\"resolvedAt\") or has(\"breaker\")", "false");
    char *shown = show(&f, id);
    EXPECT_ASK(shown, ".incident | keys",
               "[\"class\",\"createdAt\",\"id\",\"recommendedAction\",\"task\",\"type\"]");
    pawl_free(shown);
    pawl_free(one);
    pawl_free(same);
    pawl_free(id);
    fixture_done(&f);
}

TEST(incidents, an_id_is_of_an_instance_or_of_a_step_and_nothing_else)
{
    static const struct {
        int length; /* so much of the instance's id */
        const char *rest;
    } none[] = { { 0, "x" },
                 { 0, "-1" },
                 { 26, "-" },
                 { 26, "-0" },
                 { 26, "-02" },
                 { 26, "-2x" },
                 { 26, "--2" },
                 { 26, "-2-2" },
                 { 26, " 2" },
                 { 26, "-99999999999999999999" },
                 { 26, "-18446744073709551618" },
                 { 25, "" },
                 { 26, "1" },
                 { 26, "-3" } };
    fixture f;
    char name[64], asked[128], *out = NULL;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    char *id = faulted(&f, name);
    for (size_t i = 0; i < PW_LENGTH(none); i++) {
        (void)snprintf(asked, sizeof asked, "%.*s%s", none[i].length, id, none[i].rest);
        if (pawl_incident(f.p, asked, &out, &f.err) != PAWL_NOT_FOUND ||
            change(&f, asked, PAWL_FAIL, NULL, 0, NULL) != PAWL_NOT_FOUND)
            fail_msg("'%s' was found: %s", asked, f.err.message);
    }
    EXPECT_INT(pawl_incident(f.p, NULL, &out, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_incident(f.p, "", &out, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_incident(f.p, id, NULL, &f.err), PAWL_INVALID);
    EXPECT_INT(change(&f, "", PAWL_FAIL, NULL, 0, NULL), PAWL_INVALID);
    EXPECT_INT(pawl_calls(f.p, "00000000000000000000000000", &out, &f.err), PAWL_NOT_FOUND);
    EXPECT_INT(f.err.reason, PAWL_REASON_NO_INSTANCE);
    EXPECT_OK(change(&f, name, PAWL_FAIL, NULL, 0, NULL), f.err); /* nothing had been done to it */
    pawl_free(id);
    fixture_done(&f);
}

TEST(incidents, one_that_is_over_is_not_taken_for_the_next)
{
    fixture f;
    char first[64], *out = NULL;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    char *id = faulted(&f, first);
    EXPECT_OK(change(&f, first, PAWL_RETRY, NULL, 0, &out), f.err);
    EXPECT_ASK(out, "[.token,.repeated]", "[3,false]");
    pawl_free(out);
    pawl_free(finish(&f, id));
    static const pawl_change changes[] = { PAWL_RETRY, PAWL_FAIL, PAWL_CANCEL };
    for (size_t i = 0; i < PW_LENGTH(changes); i++) {
        EXPECT_INT(change(&f, first, changes[i], NULL, 0, NULL), PAWL_STATE);
        EXPECT_INT(f.err.reason, PAWL_REASON_NO_INCIDENT);
        EXPECT_CONTAINS(f.err.message, "retried by ann");
        EXPECT_INT(change(&f, first, changes[i], "key", 0, NULL),
                   PAWL_STATE); /* nor was it asked before */
        EXPECT_INT(f.err.reason, PAWL_REASON_NO_INCIDENT);
    }
    char *list = every(&f);
    EXPECT_ASK(list, "[.incidents[] | [.open, .resolution, .resolvedBy]]",
               "[[true,null,null],[false,\"retried\",\"ann\"]]");
    pawl_free(list);
    pawl_free(id);
    fixture_done(&f);
}

TEST(incidents, a_request_that_is_repeated_hears_what_it_heard_though_its_incident_is_over)
{
    fixture f;
    char first[64], *out = NULL, *again = NULL;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    char *id = faulted(&f, first);
    EXPECT_OK(change(&f, first, PAWL_RETRY, "k", 0, &out), f.err);
    pawl_free(finish(&f, id));
    EXPECT_OK(change(&f, first, PAWL_RETRY, "k", 0, &again), f.err);
    EXPECT_ASK(again, ".token", "3");
    char *list = every(&f);
    EXPECT_ASK(list, ".incidents | length", "2");
    pawl_free(list);
    /* Under the key nothing else can be asked: not of the next incident, and not of the instance.
     */
    char next[64];
    (void)snprintf(next, sizeof next, "%s-4", id);
    EXPECT_INT(change(&f, next, PAWL_RETRY, "k", 0, NULL), PAWL_CONFLICT);
    EXPECT_INT(f.err.reason, PAWL_REASON_REQUEST_REUSED);
    EXPECT_INT(change(&f, id, PAWL_RETRY, "k", 0, NULL), PAWL_CONFLICT);
    EXPECT_INT(f.err.reason, PAWL_REASON_REQUEST_REUSED);
    pawl_free(out);
    pawl_free(again);
    pawl_free(id);
    fixture_done(&f);
}

TEST(incidents, what_was_given_up_is_given_up_once_more_and_nothing_else)
{
    fixture f;
    char name[64], *out = NULL;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    char *id = faulted(&f, name);
    EXPECT_INT(pawl_delete(f.p, id, NULL, &f.err), PAWL_STATE);
    EXPECT_INT(f.err.reason, PAWL_REASON_OPEN_INCIDENT);
    EXPECT_INT(change(&f, name, PAWL_FAIL, NULL, 99, NULL), PAWL_CONFLICT);
    EXPECT_INT(f.err.reason, PAWL_REASON_STALE_TOKEN);
    EXPECT_OK(change(&f, name, PAWL_FAIL, NULL, 2, &out), f.err);
    EXPECT_ASK(out, "[.status,.repeated]", "[\"faulted\",false]");
    pawl_free(out);
    EXPECT_OK(change(&f, name, PAWL_FAIL, NULL, 0, &out), f.err);
    EXPECT_ASK(out, ".repeated", "true");
    pawl_free(out);
    EXPECT_INT(change(&f, name, PAWL_CANCEL, NULL, 0, NULL), PAWL_STATE);
    EXPECT_INT(change(&f, name, PAWL_RETRY, NULL, 0, NULL), PAWL_STATE);
    char *list = incidents(&f, NULL);
    EXPECT_ASK(list, ".incidents", "[]");
    pawl_free(list);
    char *shown = show(&f, id);
    EXPECT_ASK(shown, "[.status, has(\"incident\")]", "[\"faulted\",false]");
    pawl_free(shown);
    EXPECT_OK(pawl_incident(f.p, id, &out, &f.err), f.err); /* found, though it is over */
    EXPECT_ASK(out, "[.open,.resolution,has(\"input\")]", "[false,\"failed\",false]");
    pawl_free(out);
    EXPECT_OK(pawl_delete(f.p, id, NULL, &f.err), f.err);
    pawl_free(id);
    fixture_done(&f);
}

typedef struct race {
    fixture *f;
    const char *name;
    atomic_uint done, over;
} race;

static void retry_it(void *context, unsigned number)
{
    (void)number;
    race *r = context;
    pawl_error err = { .code = PAWL_OK };
    pawl_code code = pawl_change_with(r->f->p, r->name, PAWL_RETRY, NULL, NULL, NULL, &err);
    if (code == PAWL_OK)
        atomic_fetch_add(&r->done, 1);
    else if (code == PAWL_STATE && err.reason == PAWL_REASON_NO_INCIDENT)
        atomic_fetch_add(&r->over, 1);
}

TEST(incidents, of_eight_that_retry_the_same_one_does)
{
    fixture f;
    char name[64];
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "worse", RAISE); /* it faults again in the step that retries it: another would find
                                   an open incident */
    char *id = start(&f, "worse", NULL);
    pawl_free(finish(&f, id));
    (void)snprintf(name, sizeof name, "%s-1", id);
    race r = { .f = &f, .name = name };
    crew_run(8, retry_it, &r);
    EXPECT_INT(atomic_load(&r.done), 1);
    EXPECT_INT(atomic_load(&r.over), 7);
    char *list = every(&f);
    EXPECT_ASK(list, ".incidents | length", "2");
    pawl_free(list);
    pawl_free(id);
    fixture_done(&f);
}

TEST(incidents, the_list_keeps_to_what_is_asked)
{
    fixture f;
    char name[64];
    fixture_init(&f, "memory:");
    fixture_open(&f);
    fixture_clock(&f, 1000000);
    char *id = faulted(&f, name);
    fixture_clock(&f, 1000001); /* of the same instant they come in the order of their ids */
    deploy(&f, "worse", RAISE);
    char *other = start(&f, "worse", NULL);
    pawl_free(finish(&f, other));
    const struct {
        pawl_incidents_options options;
        const char *names;
    } rows[] = {
        { { .limit = 0 }, "[\"worse\",\"bad\"]" },
        { { .name = "bad" }, "[\"bad\"]" },
        { { .name = "test/worse" }, "[\"worse\"]" },
        { { .name = "other/bad" }, "[]" },
        { { .namespaces = "[\"test\"]" }, "[\"worse\",\"bad\"]" },
        { { .namespaces = "[\"other\"]" }, "[]" },
        { { .namespaces = "[]" }, "[]" },
        { { .instance = id }, "[\"bad\"]" },
        { { .type = "activity-fault" }, "[\"worse\",\"bad\"]" },
        { { .type = "external-call-fault" }, "[]" },
        { { .error_class = "business" }, "[\"worse\"]" },
        { { .task = "/do/0/work" }, "[\"bad\"]" },
        { { .limit = 1 }, "[\"worse\"]" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        pawl_incidents_options options = rows[i].options;
        options.struct_size = sizeof options;
        char *list = incidents(&f, &options);
        EXPECT_ASK(list, "[.incidents[].name]", rows[i].names);
        pawl_free(list);
    }
    char *out = NULL;
    const pawl_incidents_options wrong[] = {
        { .struct_size = sizeof *wrong, .type = "fault" },
        { .struct_size = sizeof *wrong, .error_class = "sad" },
        { .struct_size = sizeof *wrong, .limit = 1001 },
        { .struct_size = sizeof *wrong, .after = "x" },
        { .struct_size = sizeof *wrong, .namespaces = "{}" },
        { .struct_size = 0 },
    };
    for (size_t i = 0; i < PW_LENGTH(wrong); i++)
        EXPECT_INT(pawl_incidents(f.p, &wrong[i], &out, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_incidents(NULL, NULL, &out, &f.err), PAWL_INVALID);
    pawl_free(id);
    pawl_free(other);
    fixture_done(&f);
}

TEST(incidents, a_breaker_is_forced_by_a_person_and_says_so)
{
    fixture f;
    const pawl_request ann = { .struct_size = sizeof ann, .actor = "ann" };
    char *out = NULL, *again = NULL;
    fixture_init(&f, NULL);
    fixture_clock(&f, 1000000);
    fixture_open(&f);
    EXPECT_OK(pawl_breakers(f.p, 1, &out, &f.err), f.err);
    EXPECT_TEXT(out, "{\"breakers\":[]}");
    pawl_free(out);
    EXPECT_INT(pawl_breaker_force(f.p, "http://x:80", "auto", NULL, NULL, &out, &f.err),
               PAWL_NOT_FOUND);
    EXPECT_INT(f.err.reason, PAWL_REASON_NO_SERVICE);
    EXPECT_INT(pawl_breaker_force(f.p, "http://x:80", "closed", NULL, NULL, &out, &f.err),
               PAWL_NOT_FOUND);
    EXPECT_INT(pawl_breaker_force(f.p, "http://x:80", "half-open", NULL, NULL, &out, &f.err),
               PAWL_INVALID);
    EXPECT_INT(pawl_breaker_force(f.p, "http://x:80", NULL, NULL, NULL, &out, &f.err),
               PAWL_INVALID);
    EXPECT_INT(pawl_breaker_force(f.p, "", "open", NULL, NULL, &out, &f.err), PAWL_INVALID);
    EXPECT_INT(pawl_breaker_force(f.p, "\xff", "open", NULL, NULL, &out, &f.err), PAWL_INVALID);
    EXPECT_OK(pawl_breaker_force(f.p, "http://x:80", "open", "moving", &ann, &out, &f.err), f.err);
    EXPECT_TEXT(
        out,
        "{\"service\":\"http://"
        "x:80\",\"state\":\"open\",\"forced\":\"open\",\"changedAt\":\"1970-01-01T00:16:40.000Z\","
        "\"changedBy\":\"ann\",\"reason\":\"moving\"}");
    fixture_clock(&f, 2000000);
    EXPECT_OK(pawl_breaker_force(f.p, "http://x:80", "open", "moving", &ann, &again, &f.err),
              f.err);
    EXPECT_ASK(again, ".changedAt", "\"1970-01-01T00:16:40.000Z\""); /* it was so */
    pawl_free(again);
    EXPECT_OK(pawl_breaker_force(f.p, "http://x:80", "open", "still moving", NULL, &again, &f.err),
              f.err);
    EXPECT_ASK(again, "[.changedAt,.changedBy,.reason]",
               "[\"1970-01-01T00:33:20.000Z\",\"system\",\"still moving\"]");
    pawl_free(again);
    pawl_free(out);
    /* Whoever looks at the store sees it, too, but forces nothing. */
    pawl_options look = pawl_options_default();
    pawl *reader = NULL;
    look.store = f.store;
    look.mode = PAWL_READ;
    EXPECT_OK(pawl_open(&reader, &look, &f.err), f.err);
    EXPECT_OK(pawl_breakers(reader, 0, &out, &f.err), f.err);
    EXPECT_ASK(out, "[.breakers[] | .service, .forced, has(\"waiting\")]",
               "[\"http://x:80\",\"open\",false]");
    pawl_free(out);
    EXPECT_INT(pawl_breaker_force(reader, "http://x:80", "auto", NULL, NULL, NULL, &f.err),
               PAWL_INVALID);
    pawl_close(reader);
    fixture_close(&f);
    fixture_open(&f); /* and the next owner */
    EXPECT_OK(pawl_breakers(f.p, 0, &out, &f.err), f.err);
    EXPECT_ASK(out, "[.breakers[] | .service, .state, .forced]",
               "[\"http://x:80\",\"open\",\"open\"]");
    pawl_free(out);
    EXPECT_OK(pawl_breaker_force(f.p, "http://x:80", "closed", NULL, &ann, &out, &f.err), f.err);
    EXPECT_ASK(out, "[.state,.forced]", "[\"closed\",\"closed\"]");
    pawl_free(out);
    EXPECT_OK(pawl_breaker_force(f.p, "http://x:80", "auto", NULL, &ann, NULL, &f.err), f.err);
    EXPECT_OK(pawl_breakers(f.p, 0, &out, &f.err), f.err);
    EXPECT_TEXT(out, "{\"breakers\":[]}");
    pawl_free(out);
    EXPECT_OK(pawl_breakers(f.p, 1, &out, &f.err), f.err);
    EXPECT_ASK(out, "[.breakers[] | .state, has(\"forced\")]", "[\"closed\",false]");
    pawl_free(out);
    fixture_done(&f);
}

TEST_MAIN()
