/* bookmark_test.c - what waits for people over all instances; what lists, counts and deletions say of instances. */
#include "fixture.h"

static void deploy_in(fixture *f, const char *namespace_, const char *name, const char *body)
{
    char text[2000];
    int length = snprintf(text, sizeof text, "document: {dsl: 1.0.0, namespace: %s, name: %s, version: 1.0.0}\ndo:\n%s\n",
                          namespace_, name, body);
    EXPECT_OK(pawl_deploy(f->p, text, (size_t)length, NULL, NULL, NULL, &f->err), f->err);
}

/* Two namespaces; tasks of ann, of a group, of everybody; a timer; a listen. */
static void fill(fixture *f)
{
    deploy_in(f, "one", "anns", "  - ask: {call: userTask, with: {key: a, title: First, assignedTo: ann, priority: 1}}");
    deploy_in(f, "one", "staffs", "  - ask: {call: userTask, with: {key: s, candidates: {groups: [staff]}, priority: 9}}");
    deploy_in(f, "two", "open", "  - ask: {call: userTask, with: {key: o, form: {schema: {type: object}}, data: {n: 1}}}");
    deploy_in(f, "two", "nap", "  - nap: {wait: PT1H}");
    deploy_in(f, "two", "hear", "  - hear: {listen: {to: {one: {with: {type: a}}}}}");
    static const char *const names[] = { "one/anns", "one/staffs", "two/open", "two/nap", "two/hear" };
    for (size_t i = 0; i < PW_LENGTH(names); i++)
        pawl_free(start(f, names[i], NULL));
}

static void expect_list(fixture *f, const pawl_bookmarks_options *options, const char *expression, const char *expected)
{
    char *text = NULL;
    EXPECT_OK(pawl_bookmarks(f->p, options, &text, &f->err), f->err);
    EXPECT_ASK(text, expression, expected);
    pawl_free(text);
}

TEST(bookmark, lists_are_of_a_kind_a_namespace_a_definition_or_a_person)
{
    static const char *const staff[] = { "staff" };
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    fill(&f);
    const size_t size = sizeof(pawl_bookmarks_options);
    const struct {
        pawl_bookmarks_options options;
        const char *names; /* of their definitions */
    } cases[] = {
        { { .struct_size = size, .kind = "user-action" }, "[\"staffs\",\"anns\",\"open\"]" }, /* most urgent first */
        { { .struct_size = size, .kind = "timer" }, "[\"nap\"]" },
        { { .struct_size = size, .kind = "external-message" }, "[\"hear\"]" },
        { { .struct_size = size, .kind = "child" }, "[]" },
        { { .struct_size = size, .namespaces = "[\"one\"]", .kind = "user-action" }, "[\"staffs\",\"anns\"]" },
        { { .struct_size = size, .namespaces = "[\"three\"]" }, "[]" },
        { { .struct_size = size, .namespaces = "[]" }, "[]" },
        { { .struct_size = size, .name = "two/open" }, "[\"open\"]" },
        { { .struct_size = size, .name = "anns" }, "[\"anns\"]" },
        { { .struct_size = size, .person = "ann" }, "[\"anns\",\"open\"]" },
        { { .struct_size = size, .person = "bob" }, "[\"open\"]" },
        { { .struct_size = size, .person = "bob", .groups = staff, .group_count = 1 }, "[\"staffs\",\"open\"]" },
        { { .struct_size = size, .person = "bob", .kind = "timer" }, "[]" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        expect_list(&f, &cases[i].options, "[.bookmarks[].name]", cases[i].names);
    const pawl_bookmarks_options all = { .struct_size = size };
    expect_list(&f, &all, "[.bookmarks[].kind] | sort",
                "[\"external-message\",\"timer\",\"user-action\",\"user-action\",\"user-action\"]");
    expect_list(&f, NULL, ".bookmarks | length", "5");
    fixture_done(&f);
}

TEST(bookmark, pages_follow_each_other_and_one_has_form_and_data)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    fill(&f);
    char next[512] = "", names[256] = "", *page = NULL;
    for (int i = 0; i < 3; i++) {
        const pawl_bookmarks_options options = { .struct_size = sizeof options,
                                                 .kind = "user-action",
                                                 .limit = 1,
                                                 .after = i ? next : NULL };
        EXPECT_OK(pawl_bookmarks(f.p, &options, &page, &f.err), f.err);
        EXPECT_ASK(page, ".bookmarks | length", "1");
        EXPECT_ASK(page, "has(\"next\")", i < 2 ? "true" : "false");
        (void)snprintf(names + strlen(names), sizeof names - strlen(names), "%s", ask(page, ".bookmarks[0].name"));
        (void)snprintf(next, sizeof next, "%s", ask(page, ".next // \"\""));
        memmove(next, next + 1, strlen(next));
        next[strlen(next) - 1] = '\0';
        pawl_free(page);
    }
    EXPECT_TEXT(names, "\"staffs\"\"anns\"\"open\"");
    const pawl_bookmarks_options open = { .struct_size = sizeof open, .name = "two/open" };
    EXPECT_OK(pawl_bookmarks(f.p, &open, &page, &f.err), f.err);
    EXPECT_ASK(page, ".bookmarks[0] | [has(\"form\"), has(\"data\"), .key, .open, .token]", "[false,false,\"o\",true,1]");
    char id[64];
    (void)snprintf(id, sizeof id, "%.26s", ask(page, ".bookmarks[0].instance") + 1);
    pawl_free(page);
    EXPECT_OK(pawl_bookmark(f.p, id, "o", &page, &f.err), f.err);
    EXPECT_ASK(page, "[.form.schema.type, .data.n, .namespace, .version, .task, .kind, .consumed]",
               "[\"object\",1,\"two\",\"1.0.0\",\"/do/0/ask\",\"user-action\",false]");
    pawl_free(page);
    EXPECT_INT(pawl_bookmark(f.p, id, "p", &page, &f.err), PAWL_NOT_FOUND);
    EXPECT_INT(f.err.reason, PAWL_REASON_NO_BOOKMARK);
    EXPECT_INT(pawl_bookmark(f.p, "00000000000000000000000000", "p", &page, &f.err), PAWL_NOT_FOUND);
    EXPECT_INT(f.err.reason, PAWL_REASON_NO_INSTANCE);
    const pawl_bookmarks_options bad[] = { { .struct_size = sizeof open, .kind = "x" },
                                           { .struct_size = sizeof open, .limit = 1001 },
                                           { .struct_size = sizeof open, .namespaces = "{}" },
                                           { .struct_size = sizeof open, .namespaces = "[1]" },
                                           { .struct_size = sizeof open, .after = "nonsense" },
                                           { .struct_size = 0 } };
    for (size_t i = 0; i < PW_LENGTH(bad); i++)
        EXPECT_INT(pawl_bookmarks(f.p, &bad[i], &page, &f.err), PAWL_INVALID);
    fixture_done(&f);
}

TEST(bookmark, what_a_person_may_not_do_with_it_is_refused)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    fill(&f);
    char *page = NULL, id[64];
    const pawl_bookmarks_options timers = { .struct_size = sizeof timers, .kind = "timer" };
    EXPECT_OK(pawl_bookmarks(f.p, &timers, &page, &f.err), f.err);
    (void)snprintf(id, sizeof id, "%.26s", ask(page, ".bookmarks[0].instance") + 1);
    char key[64];
    (void)snprintf(key, sizeof key, "%s", ask(page, ".bookmarks[0].key") + 1);
    key[strlen(key) - 1] = '\0';
    pawl_free(page);
    static char long_text[5000];
    memset(long_text, 't', sizeof long_text - 1);
    const pawl_request ann = { .struct_size = sizeof ann, .actor = "ann" };
    const size_t size = sizeof(pawl_bookmark_options);
    const struct {
        pawl_bookmark_options options;
        const pawl_request *request;
        pawl_code code;
        pawl_reason reason;
    } cases[] = {
        { { .struct_size = size, .id = id, .key = key }, &ann, PAWL_CONFLICT, PAWL_REASON_WRONG_KIND },
        { { .struct_size = size, .id = id, .key = "none" }, &ann, PAWL_NOT_FOUND, PAWL_REASON_NO_BOOKMARK },
        { { .struct_size = size, .id = id, .key = key }, NULL, PAWL_INVALID, PAWL_REASON_NONE }, /* whose claim? */
        { { .struct_size = size, .id = id, .key = key, .lease_ms = UINT64_MAX }, &ann, PAWL_INVALID, PAWL_REASON_NONE },
        { { .struct_size = size, .id = id, .key = key, .action = PAWL_BOOKMARK_DELEGATE }, &ann, PAWL_INVALID, PAWL_REASON_NONE },
        { { .struct_size = size, .id = id, .key = key, .action = PAWL_BOOKMARK_COMMENT }, &ann, PAWL_INVALID, PAWL_REASON_NONE },
        { { .struct_size = size, .id = id, .key = key, .action = PAWL_BOOKMARK_COMMENT, .text = long_text },
          &ann, PAWL_INVALID, PAWL_REASON_TOO_LARGE },
        { { .struct_size = size, .id = id, .key = key, .action = (pawl_bookmark_action)9 }, &ann, PAWL_INVALID, PAWL_REASON_NONE },
        { { .struct_size = 0, .id = id, .key = key }, &ann, PAWL_INVALID, PAWL_REASON_NONE },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        EXPECT_INT(pawl_bookmark_change(f.p, &cases[i].options, cases[i].request, NULL, &f.err), cases[i].code);
        EXPECT_TEXT(pawl_reason_name(f.err.reason), pawl_reason_name(cases[i].reason));
    }
    char *head = NULL;
    EXPECT_OK(pawl_head(f.p, id, &head, &f.err), f.err);
    EXPECT_ASK(head, ".token", "1");
    pawl_free(head);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ instances */

static void expect_count(fixture *f, const pawl_list_options *options, const char *expected)
{
    char *text = NULL, *page = NULL;
    EXPECT_OK(pawl_count(f->p, options, &text, &f->err), f->err);
    EXPECT_TEXT(text, expected);
    EXPECT_OK(pawl_list(f->p, options, &page, &f->err), f->err); /* the two agree */
    char total[32];
    (void)snprintf(total, sizeof total, "%s", ask(text, ".total"));
    EXPECT_ASK(page, ".instances | length", total);
    pawl_free(page);
    pawl_free(text);
}

TEST(bookmark, counts_and_lists_are_of_namespaces_labels_keys_and_correlations)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    fill(&f);
    deploy_in(&f, "one", "quick", "  - done: {set: {n: 1}}");
    const size_t size = sizeof(pawl_list_options);
    const pawl_start_options labelled = { .struct_size = sizeof labelled,
                                          .name = "one/quick",
                                          .key = "k7",
                                          .correlation = "c7",
                                          .labels = "{\"a\":\"1\",\"b\":\"2\"}" };
    EXPECT_OK(pawl_start(f.p, &labelled, NULL, NULL, &f.err), f.err);
    const struct {
        pawl_list_options options;
        const char *counts;
    } cases[] = {
        { { .struct_size = size }, "{\"total\":6,\"statuses\":{\"waiting\":5,\"completed\":1}}" },
        { { .struct_size = size, .namespaces = "[\"two\"]" }, "{\"total\":3,\"statuses\":{\"waiting\":3}}" },
        { { .struct_size = size, .namespaces = "[\"one\",\"two\",\"three\"]" },
          "{\"total\":6,\"statuses\":{\"waiting\":5,\"completed\":1}}" },
        { { .struct_size = size, .namespaces = "[]" }, "{\"total\":0,\"statuses\":{}}" },
        { { .struct_size = size, .name = "one/quick" }, "{\"total\":1,\"statuses\":{\"completed\":1}}" },
        { { .struct_size = size, .labels = "{\"a\":\"1\"}" }, "{\"total\":1,\"statuses\":{\"completed\":1}}" },
        { { .struct_size = size, .labels = "{\"a\":\"1\",\"b\":\"2\"}" }, "{\"total\":1,\"statuses\":{\"completed\":1}}" },
        { { .struct_size = size, .labels = "{\"a\":\"2\"}" }, "{\"total\":0,\"statuses\":{}}" },
        { { .struct_size = size, .labels = "{}" }, "{\"total\":6,\"statuses\":{\"waiting\":5,\"completed\":1}}" },
        { { .struct_size = size, .key = "k7" }, "{\"total\":1,\"statuses\":{\"completed\":1}}" },
        { { .struct_size = size, .correlation = "c7" }, "{\"total\":1,\"statuses\":{\"completed\":1}}" },
        { { .struct_size = size, .correlation = "c8" }, "{\"total\":0,\"statuses\":{}}" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        expect_count(&f, &cases[i].options, cases[i].counts);
    char *text = NULL;
    const pawl_list_options waiting = { .struct_size = size, .status = "waiting", .namespaces = "[\"two\"]" };
    EXPECT_OK(pawl_list(f.p, &waiting, &text, &f.err), f.err);
    EXPECT_ASK(text, "[.instances[].name] | sort", "[\"hear\",\"nap\",\"open\"]");
    pawl_free(text);
    const pawl_definitions_options one = { .struct_size = sizeof one, .namespaces = "[\"one\"]" };
    EXPECT_OK(pawl_definitions(f.p, &one, &text, &f.err), f.err);
    EXPECT_ASK(text, "[.definitions[].name]", "[\"anns\",\"quick\",\"staffs\"]");
    pawl_free(text);
    const pawl_definitions_options none = { .struct_size = sizeof none, .namespaces = "[]" };
    EXPECT_OK(pawl_definitions(f.p, &none, &text, &f.err), f.err);
    EXPECT_ASK(text, ".definitions", "[]");
    pawl_free(text);
    fixture_done(&f);
}

TEST(bookmark, an_output_is_given_only_by_what_has_completed)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "quick", "  - done: {set: {n: 1.50}}");
    deploy(&f, "ask", "  - ask: {call: userTask, with: {key: ok}}");
    char *id = start(&f, "quick", NULL), *waiting = start(&f, "ask", NULL), *out = NULL;
    EXPECT_OK(pawl_output(f.p, id, &out, &f.err), f.err);
    EXPECT_TEXT(out, "{\"n\":1.50}");
    pawl_free(out);
    out = NULL;
    EXPECT_INT(pawl_output(f.p, waiting, &out, &f.err), PAWL_STATE);
    EXPECT_INT(f.err.reason, PAWL_REASON_NOT_ENDED);
    EXPECT_OK(pawl_cancel(f.p, waiting, NULL, NULL, &f.err), f.err);
    EXPECT_INT(pawl_output(f.p, waiting, &out, &f.err), PAWL_STATE);
    EXPECT_INT(f.err.reason, PAWL_REASON_ENDED);
    EXPECT_INT(pawl_output(f.p, "x", &out, &f.err), PAWL_NOT_FOUND);
    EXPECT_INT(f.err.reason, PAWL_REASON_NO_INSTANCE);
    EXPECT(out == NULL);
    pawl_free(waiting);
    pawl_free(id);
    fixture_done(&f);
}

TEST(bookmark, only_what_has_ended_is_deleted_and_nothing_of_it_is_left)
{
    static const char *const stores[] = { "memory:", NULL };
    for (size_t i = 0; i < PW_LENGTH(stores); i++) {
        fixture f;
        fixture_init(&f, stores[i]);
        fixture_open(&f);
        deploy(&f, "ask", "  - ask: {call: userTask, with: {key: ok}}");
        int existed = -1;
        char *id = start_key(&f, "ask", "k", NULL, &existed), *text = NULL;
        pawl_request request = { .struct_size = sizeof request, .actor = "root", .idempotency_key = "d1" };
        EXPECT_INT(pawl_delete(f.p, id, NULL, &f.err), PAWL_STATE);
        EXPECT_INT(f.err.reason, PAWL_REASON_NOT_ENDED);
        EXPECT_OK(pawl_cancel(f.p, id, NULL, NULL, &f.err), f.err);
        request.if_token = 1;
        EXPECT_INT(pawl_delete(f.p, id, &request, &f.err), PAWL_CONFLICT);
        EXPECT_INT(f.err.reason, PAWL_REASON_STALE_TOKEN);
        request.if_token = 2;
        EXPECT_OK(pawl_delete(f.p, id, &request, &f.err), f.err);
        EXPECT_OK(pawl_delete(f.p, id, &request, &f.err), f.err); /* the same request */
        EXPECT_INT(pawl_delete(f.p, id, NULL, &f.err), PAWL_NOT_FOUND);
        EXPECT_INT(f.err.reason, PAWL_REASON_NO_INSTANCE);
        request.idempotency_key = "d2"; /* what was not there is not told to have been deleted */
        EXPECT_INT(pawl_delete(f.p, id, &request, &f.err), PAWL_NOT_FOUND);
        EXPECT_INT(pawl_delete(f.p, id, &request, &f.err), PAWL_NOT_FOUND);
        EXPECT_INT(pawl_show(f.p, id, &text, &f.err), PAWL_NOT_FOUND);
        EXPECT_INT(pawl_log(f.p, id, 1, 0, &text, &f.err), PAWL_NOT_FOUND);
        EXPECT_INT(pawl_cancel(f.p, id, NULL, NULL, &f.err), PAWL_NOT_FOUND);
        char *again = start_key(&f, "ask", "k", "1", &existed); /* its key is free */
        EXPECT_TEXT(again, id);
        EXPECT_INT(existed, 0);
        EXPECT_OK(pawl_resume(f.p, again, "ok", "1", NULL, &f.err), f.err);
        text = finish(&f, again);
        EXPECT_ASK(text, "[.status, .token, .input]", "[\"completed\",2,1]");
        pawl_free(text);
        pawl_free(again);
        pawl_free(id);
        fixture_done(&f);
    }
}

TEST_MAIN()
