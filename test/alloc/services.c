/* services.c - the nth allocation fails, and all after it, for every n, in the background services: events that are
 * published, dead letters, the cleanup with its export, and what is told of them. See alloc.c for how. */
#include <sys/stat.h>
#include <unistd.h>
#include "engine/trouble.h"

#define DAY_MS 86400000ull
enum { NTH_MAX = 5000, CALM = 3 };

static trouble t; /* of the running test */
static pawl_sink_options sink;
static pawl_cleanup_settings cleanup;
static char folder[512];

static bool goes_on(unsigned nth, bool happened, unsigned *calm)
{
    *calm = happened ? 0 : *calm + 1;
    if (nth >= NTH_MAX)
        fail_msg("allocation %u still fails", nth);
    if (*calm == CALM)
        printf("# %u allocations\n", nth - CALM);
    return *calm < CALM;
}

static uint64_t begin_shortage(unsigned nth)
{
    pw_alloc_fail_after(nth);
    return pw_alloc_count();
}

static bool end_shortage(unsigned nth, uint64_t before)
{
    bool happened = pw_alloc_count() - before >= nth;
    pw_alloc_fail_after(0);
    return happened;
}

static void expect_done_or_no_memory(pawl_code code, unsigned nth)
{
    if (code != PAWL_OK && code != PAWL_NO_MEMORY)
        fail_msg("allocation %u: %s: %s", nth, pawl_code_name(code), t.f.err.message);
}

/* A sink that refuses the first `refused` events, and a cleanup that exports to a folder. */
static void begin(unsigned refused)
{
    trouble_init(&t, NULL);
    t.resilience.base_delay_ms = t.resilience.max_delay_ms = 1;
    if (refused)
        service_on(t.s, "/hook", (service_answer){ .status = 410, .times = refused });
    service_on(t.s, "/hook", (service_answer){ .status = 200 });
    sink = (pawl_sink_options){ .struct_size = sizeof sink, .name = "hook", .type = "http", .url = service_url(t.s, "/hook"),
                                .types = "t, u", .sources = "/*" };
    t.f.options.sinks = &sink;
    t.f.options.sink_count = 1;
    t.f.options.outbox_ms = 1000;
    (void)snprintf(folder, sizeof folder, "%.400s/export", pw_test_dir());
    EXPECT(mkdir(folder, 0700) == 0 || access(folder, W_OK) == 0);
    cleanup = pawl_cleanup_settings_default();
    cleanup.instances_ms = DAY_MS;
    cleanup.steps_ms = 3 * DAY_MS;
    cleanup.pause_ms = 0;
    cleanup.export_path = folder;
    t.f.options.cleanup = &cleanup;
}

static void deploy_one(void)
{
    deploy(&t.f, "one", "  - e: {emit: {event: {with: {type: t, source: /s, data: 1}}}}");
}

static void one_round(void)
{
    EXPECT_OK(pw_outbox_round(t.f.p->outbox, pw_monotonic_ns() + WAIT_MS * 1000000ull, &t.f.err), t.f.err);
}

/* An instance that has ended; its event is a dead letter, or published. */
static char *have_ended(void)
{
    char *id = start(&t.f, "one", "null");
    pawl_free(finish(&t.f, id));
    one_round();
    return id;
}

static const char *ask_dead(trouble *at, const char *none, const char *expression)
{
    (void)none;
    char *text = NULL;
    EXPECT_OK(pawl_letters(at->f.p, NULL, &text, &at->f.err), at->f.err);
    const char *said = ask(text, expression);
    pawl_free(text);
    return said;
}

static const char *ask_sinks(trouble *at, const char *none, const char *expression)
{
    (void)none;
    char *text = NULL;
    EXPECT_OK(pawl_sinks(at->f.p, &text, &at->f.err), at->f.err);
    const char *said = ask(text, expression);
    pawl_free(text);
    return said;
}

TEST(services_alloc, an_engine_with_services_opens_or_says_that_there_is_no_memory)
{
    begin(0);
    unsigned nth = 1, calm = 0, refused = 0;
    for (bool happened = true; goes_on(nth - 1, happened, &calm); nth++) {
        uint64_t before = begin_shortage(nth);
        pawl_code code = pawl_open(&t.f.p, &t.f.options, &t.f.err);
        happened = end_shortage(nth, before);
        expect_done_or_no_memory(code, nth);
        EXPECT((code == PAWL_OK) == (t.f.p != NULL));
        refused += code != PAWL_OK;
        pawl_close(t.f.p);
        t.f.p = NULL;
    }
    EXPECT(refused > 10);
    trouble_open(&t);
    deploy_one();
    pawl_free(have_ended());
    until_same(&t, ask_sinks, NULL, ".sinks[0] | [.published, .pending]", "[1,0]");
    trouble_done(&t);
}

/* A round that finds no memory has failed; what it did not publish is published by the next. (Which may have been the service's own, which
 * the commit wakes.) */
TEST(services_alloc, a_letter_is_requeued_and_published_or_is_there_as_before)
{
    begin(NTH_MAX);
    trouble_open(&t);
    deploy_one();
    unsigned nth = 1, calm = 0, refused = 0;
    for (bool happened = true; goes_on(nth - 1, happened, &calm); nth++) {
        char *id = have_ended(), *text = NULL;
        until_same(&t, ask_dead, NULL, "[.letters[].state]", "[\"dead\"]");
        uint64_t before = begin_shortage(nth);
        pawl_code code = pawl_letter_change(t.f.p, NULL, NULL, NULL, 1, "again", NULL, &text, &t.f.err);
        happened = end_shortage(nth, before);
        expect_done_or_no_memory(code, nth);
        EXPECT(happened || code == PAWL_OK);
        pawl_error ignored;
        before = begin_shortage(nth);
        (void)!pw_outbox_round(t.f.p->outbox, pw_monotonic_ns() + WAIT_MS * 1000000ull, &ignored);
        happened = end_shortage(nth, before) || happened;
        EXPECT((code == PAWL_OK) == (text != NULL));
        pawl_free(text);
        refused += code != PAWL_OK;
        /* The service refuses it again; and then somebody gives it up. */
        forward(&t, 1000);
        until_same(&t, ask_dead, NULL, "[.letters[].state]", "[\"dead\"]");
        EXPECT_OK(pawl_letter_change(t.f.p, NULL, NULL, NULL, 0, "enough", NULL, &text, &t.f.err), t.f.err);
        EXPECT_TEXT(text, "{\"changed\":1}");
        EXPECT_TEXT(ask_sinks(&t, NULL, ".sinks[0] | [.published, .pending, .dead]"), "[0,0,0]");
        pawl_free(text);
        pawl_free(id);
    }
    EXPECT(refused > 0);
    trouble_done(&t);
}

TEST(services_alloc, what_is_old_is_exported_and_deleted_or_stays)
{
    begin(0);
    trouble_open(&t);
    deploy_one();
    unsigned nth = 1, calm = 0, refused = 0;
    for (bool happened = true; goes_on(nth - 1, happened, &calm); nth++) {
        char *id = have_ended(), *text = NULL;
        until_same(&t, ask_sinks, NULL, ".sinks[0].pending", "0");
        forward(&t, DAY_MS + 1);
        uint64_t before = begin_shortage(nth);
        pawl_code code = pawl_cleanup(t.f.p, 0, NULL, NULL, &text, &t.f.err);
        happened = end_shortage(nth, before);
        expect_done_or_no_memory(code, nth);
        EXPECT((code == PAWL_OK) == (text != NULL));
        refused += code != PAWL_OK;
        pawl_free(text);
        if (code != PAWL_OK)
            EXPECT_OK(pawl_cleanup(t.f.p, 0, NULL, NULL, NULL, &t.f.err), t.f.err);
        EXPECT_SHOW(&t, id, "has(\"cleanedAt\")", "true");
        pawl_free(id);
    }
    EXPECT(refused > 5);
    trouble_done(&t);
}

/* ---- what is told */

static char shown[128]; /* the event, and */
static char *instance;  /* its instance */

static pawl_code all_letters(char **out)
{
    static const pawl_letters_options options = { .struct_size = sizeof options, .all = 1, .namespaces = "[\"test\"]" };
    return pawl_letters(t.f.p, &options, out, &t.f.err);
}

static pawl_code one_letter(char **out)
{
    return pawl_letter(t.f.p, shown, NULL, out, &t.f.err);
}

static pawl_code all_sinks(char **out)
{
    return pawl_sinks(t.f.p, out, &t.f.err);
}

static pawl_code dry_cleanup(char **out)
{
    return pawl_cleanup(t.f.p, 1, NULL, NULL, out, &t.f.err);
}

static pawl_code why_it_is(char **out)
{
    return pawl_why(t.f.p, instance, out, &t.f.err);
}

static pawl_code audit_now(char **out)
{
    return pawl_audit(t.f.p, 0, out, &t.f.err);
}

static pawl_code components(char **out)
{
    return pawl_components(t.f.p, out, &t.f.err);
}

static pawl_code metrics(char **out)
{
    return pawl_metrics(t.f.p, out, &t.f.err);
}

TEST(services_alloc, what_is_asked_about_them_is_told_whole_or_not_at_all)
{
    static const struct {
        pawl_code (*look)(char **);
        bool same; /* nothing in it moves by itself */
    } looks[] = { { all_letters, true }, { one_letter, true },  { all_sinks, true },   { dry_cleanup, true },
                  { why_it_is, true },   { audit_now, false }, { components, false }, { metrics, false } };
    begin(1);
    trouble_open(&t);
    deploy_one();
    instance = have_ended();
    until_same(&t, ask_dead, NULL, "[.letters[].state]", "[\"dead\"]");
    one_round();
    (void)snprintf(shown, sizeof shown, "%s", ask_dead(&t, NULL, ".letters[0].event") + 1);
    shown[strlen(shown) - 1] = '\0'; /* its quotes */
    for (size_t i = 0; i < PW_LENGTH(looks); i++) {
        char *expected = NULL;
        EXPECT_OK(looks[i].look(&expected), t.f.err);
        unsigned nth = 1, calm = 0, refused = 0;
        for (bool happened = true; goes_on(nth - 1, happened, &calm); nth++) {
            char *text = NULL;
            uint64_t before = begin_shortage(nth);
            pawl_code code = looks[i].look(&text);
            happened = end_shortage(nth, before);
            expect_done_or_no_memory(code, nth);
            EXPECT((code == PAWL_OK) == (text != NULL));
            if (code == PAWL_OK && looks[i].same)
                EXPECT_TEXT(text, expected);
            refused += code != PAWL_OK;
            pawl_free(text);
        }
        EXPECT(refused > 0);
        pawl_free(expected);
    }
    pawl_free(instance);
    trouble_done(&t);
}

TEST_MAIN()
