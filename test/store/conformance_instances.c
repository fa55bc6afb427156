/* conformance_instances.c - what both stores promise about finding, counting and deleting
 * instances. */
#include "messages.h"

/* ---- labels and filters */

/* Of shop/order unless it says otherwise. */
static void have_new(fixture *f, const char *id, int64_t now_ms, pw_status status,
                     pw_instance_new n)
{
    if (!n.name.len) {
        n.namespace_ = S("shop");
        n.name = S("order");
        n.version = S("1.0.0");
    }
    n.input_digest = S("in");
    pw_transition t = transition(status, PW_WAKE_NEVER, "{}");
    pw_commit_item item = item_of(id, 0, &t, now_ms);
    item.create = &n;
    must_commit(f, &item);
}

static void have_some(fixture *f)
{
    have_definition(f);
    bool created = false;
    EXPECT_OK(put_definition(f, "depot", "parcel", "2.0.0", "digest-9", &created), f->err);
    have_new(f, "a", 1000, PW_WAITING,
             (pw_instance_new){ .labels = S("{\"city\":\"Ulm\",\"tier\":\"gold\"}"),
                                .business_key = S("K1"),
                                .correlation = S("a") });
    have_new(f, "b", 3000, PW_COMPLETED,
             (pw_instance_new){ .labels = S("{\"city\":\"Ulm\",\"tier\":\"tin\"}"),
                                .correlation = S("a"),
                                .parent = S("a") });
    have_new(f, "c", 2000, PW_FAULTED,
             (pw_instance_new){ .labels = S("{\"city\":\"Bonn\",\"tier\":\"gold\"}"),
                                .business_key = S("K2"),
                                .correlation = S("run-7") });
    have_new(f, "d", 2000, PW_WAITING,
             (pw_instance_new){ .namespace_ = S("depot"),
                                .name = S("parcel"),
                                .version = S("2.0.0"),
                                .labels = S("{\"city\":\"Ulm\"}"),
                                .business_key = S("K1"),
                                .correlation = S("d") });
    have_new(f, "e", 500, PW_WAITING, (pw_instance_new){ .correlation = S("run-7") });
    have_new(f, "s", 4000, PW_WAITING,
             (pw_instance_new){
                 .schedule = true, .labels = S("{\"city\":\"Ulm\"}"), .correlation = S("a") });
}

/* The ids, page after page of two. */
static const char *found(fixture *f, pw_instance_filter filter)
{
    static char text[256];
    size_t at = 0;
    pw_str next = { "", 0 };
    filter.limit = 2;
    text[0] = '\0';
    do {
        pw_instance_row *rows = NULL;
        size_t count = 0;
        filter.after = next;
        EXPECT_OK(
            pw_store_instance_list(f->store, &filter, &rows, &count, &next, &f->arena, &f->err),
            f->err);
        for (size_t i = 0; i < count; i++)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s", at ? " " : "",
                                   (int)rows[i].id.len, rows[i].id.ptr);
    } while (next.len > 0);
    return text;
}

/* "waiting 2, faulted 1" */
static const char *counted(fixture *f, pw_instance_filter filter)
{
    static char text[256];
    uint64_t counts[PW_STATUS_COUNT];
    size_t at = 0;
    memset(counts, 0xff, sizeof counts);
    EXPECT_OK(pw_store_instance_count(f->store, &filter, counts, &f->err), f->err);
    text[0] = '\0';
    for (unsigned i = 0; i < PW_STATUS_COUNT; i++)
        if (counts[i] > 0)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%s %llu", at ? ", " : "",
                                   pw_status_name((pw_status)i), (unsigned long long)counts[i]);
    return text;
}

STORE_TEST(instances_are_found_and_counted_by_each_filter_and_by_several)
{
    have_some(f);
    restart(f);
    const pw_label ulm = { S("city"), S("Ulm") }, gold = { S("tier"), S("gold") };
    const pw_label both[] = { ulm, gold }, never[] = { ulm, { S("city"), S("Bonn") } };
    const pw_str depot[] = { S("depot") }, two[] = { S("shop"), S("depot") }, none[] = { S("x") };
    const struct {
        pw_instance_filter filter;
        const char *ids, *counts;
    } cases[] = {
        { { .limit = 1 }, "b d c a e", "waiting 3, completed 1, faulted 1" },
        { { .labels = &ulm, .label_count = 1 }, "b d a", "waiting 2, completed 1" },
        { { .labels = &gold, .label_count = 1 }, "c a", "waiting 1, faulted 1" },
        { { .labels = both, .label_count = 2 }, "a", "waiting 1" },
        { { .labels = never, .label_count = 2 }, "", "" },
        { { .labels = &ulm, .label_count = 1, .schedules = true }, "s", "waiting 1" },
        { { .labels = &ulm, .label_count = 1, .living = true }, "d a", "waiting 2" },
        { { .labels = &ulm, .label_count = 1, .name = S("order") },
          "b a",
          "waiting 1, completed 1" },
        { { .labels = &ulm, .label_count = 1, .business_key = S("K1"), .name = S("order") },
          "a",
          "waiting 1" },
        { { .business_key = S("K1") }, "d a", "waiting 2" },
        { { .business_key = S("K1"), .namespace_ = S("shop") }, "a", "waiting 1" },
        { { .business_key = S("k1") }, "", "" },
        { { .correlation = S("a") }, "b a", "waiting 1, completed 1" },
        { { .correlation = S("a"), .schedules = true }, "s", "waiting 1" },
        { { .correlation = S("a"), .parent = S("a") }, "b", "completed 1" },
        { { .correlation = S("run-7") }, "c e", "waiting 1, faulted 1" },
        { { .correlation = S("run-7"), .living = true }, "e", "waiting 1" },
        { { .correlation = S("b") }, "", "" },
        { { .namespaces = depot, .namespace_count = 1 }, "d", "waiting 1" },
        { { .namespaces = two, .namespace_count = 2 },
          "b d c a e",
          "waiting 3, completed 1, faulted 1" },
        { { .namespaces = none, .namespace_count = 1 }, "", "" },
        { { .namespaces = two, .namespace_count = 2, .namespace_ = S("depot") }, "d", "waiting 1" },
        { { .namespaces = depot, .namespace_count = 1, .name = S("order") }, "", "" },
        { { .name = S("parcel") }, "d", "waiting 1" },
        { { .namespace_ = S("shop") }, "b c a e", "waiting 2, completed 1, faulted 1" },
        { { .parent = S("a") }, "b", "completed 1" },
        { { .living = true }, "d a e", "waiting 3" },
        { { .schedules = true }, "s", "waiting 1" },
        { { .schedules = true, .namespaces = depot, .namespace_count = 1 }, "", "" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        EXPECT_TEXT(found(f, cases[i].filter), cases[i].ids);
        EXPECT_TEXT(counted(f, cases[i].filter), cases[i].counts);
    }
    /* A status is looked at by lists only. */
    pw_instance_filter filter = {
        .labels = &ulm, .label_count = 1, .by_status = true, .status = PW_COMPLETED
    };
    EXPECT_TEXT(found(f, filter), "b");
    EXPECT_TEXT(counted(f, filter), "waiting 2, completed 1");
    filter = (pw_instance_filter){ .by_status = true, .status = PW_WAITING, .name = S("order") };
    EXPECT_TEXT(found(f, filter), "a e");
    filter = (pw_instance_filter){ .by_status = true, .status = PW_WAITING, .correlation = S("a") };
    EXPECT_TEXT(found(f, filter), "a");
}

STORE_TEST(a_label_is_found_whatever_is_in_it)
{
    have_definition(f);
    have_new(f, "a", 1000, PW_WAITING,
             (pw_instance_new){
                 .labels = S("{\"a\\\"b\\\\\\u00e9 \":\"{\\\"x\\\":[1]}\\n\",\"empty\":\"\"}") });
    const pw_label odd = { S("a\"b\\\xc3\xa9 "), S("{\"x\":[1]}\n") },
                   empty = { S("empty"), S("") };
    const pw_label both[] = { empty, odd };
    EXPECT_TEXT(found(f, (pw_instance_filter){ .labels = &odd, .label_count = 1 }), "a");
    EXPECT_TEXT(found(f, (pw_instance_filter){ .labels = &empty, .label_count = 1 }), "a");
    EXPECT_TEXT(found(f, (pw_instance_filter){ .labels = both, .label_count = 2 }), "a");
    EXPECT_STR(get(f, "a").labels,
               "{\"a\\\"b\\\\\\u00e9 \":\"{\\\"x\\\":[1]}\\n\",\"empty\":\"\"}");
}

/* Creates an instance with these labels, and expects this to be said; NULL: it is created. */
static void expect_labels(fixture *f, pw_str labels, const char *message)
{
    pw_instance_new n = order_new;
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    pw_commit_item item = item_of("i1", 0, &t, 1000);
    n.labels = labels;
    item.create = &n;
    EXPECT_INT(commit_one(f, &item), message ? PAWL_INVALID : PAWL_OK);
    if (message)
        EXPECT_TEXT(item.error.message, message);
}

STORE_TEST(labels_that_make_no_sense_are_refused)
{
    have_definition(f);
    static const char no_object[] = "instance 'i1': its labels are no JSON object of strings";
    static const char too_long[] =
        "instance 'i1': a label's name must have 1 to 256 bytes, its value at "
        "most 256, and no NUL";
    expect_labels(f, S("{"), no_object);
    expect_labels(f, S("[\"a\"]"), no_object);
    expect_labels(f, S("{\"a\":1}"), no_object);
    expect_labels(f, S("{\"a\":null}"), no_object);
    expect_labels(f, S("{\"\":\"x\"}"), too_long);
    expect_labels(f, S("{\"a\":\"\\u0000\"}"), too_long);
    char text[2048];
    size_t len = (size_t)snprintf(text, sizeof text, "{\"a\":\"%0257d\"}", 0);
    expect_labels(f, (pw_str){ text, len }, too_long);
    len = (size_t)snprintf(text, sizeof text, "{\"%0257d\":\"\"}", 0);
    expect_labels(f, (pw_str){ text, len }, too_long);
    len = 0;
    for (int i = 0; i < 65; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%c\"l%d\":\"\"", i ? ',' : '{', i);
    text[len++] = '}';
    expect_labels(f, (pw_str){ text, len }, "instance 'i1': it has more than 64 labels");
    EXPECT_TEXT(found(f, (pw_instance_filter){ .limit = 1 }), "");
    len = (size_t)snprintf(text, sizeof text, "{\"%0256d\":\"%0256d\"}", 0, 0);
    expect_labels(f, (pw_str){ text, len }, NULL);
}

STORE_TEST(a_filter_that_makes_no_sense_is_refused)
{
    pw_label label = { S(""), S("x") };
    pw_instance_filter filter = { .limit = 1, .labels = &label, .label_count = 1 };
    pw_instance_row *rows = NULL;
    size_t count = 0;
    uint64_t counts[PW_STATUS_COUNT];
    pw_str next;
    const pw_label bad[] = {
        label, { S("a"), S("\xff") }, { S("a\xff"), S("") }, { S("a"), { "\0", 1 } }
    };
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        label = bad[i];
        EXPECT_INT(
            pw_store_instance_list(f->store, &filter, &rows, &count, &next, &f->arena, &f->err),
            PAWL_INVALID);
        EXPECT_TEXT(f->err.message,
                    "a label's name must have 1 to 256 bytes of UTF-8, its value at most "
                    "256, and no NUL");
        EXPECT_INT(pw_store_instance_count(f->store, &filter, counts, &f->err), PAWL_INVALID);
    }
    const pw_str namespace_ = S("\xff");
    filter = (pw_instance_filter){ .limit = 1, .namespaces = &namespace_, .namespace_count = 1 };
    EXPECT_INT(pw_store_instance_list(f->store, &filter, &rows, &count, &next, &f->arena, &f->err),
               PAWL_INVALID);
    EXPECT_TEXT(f->err.message, "a namespace to look for is not UTF-8");
    EXPECT_INT(pw_store_instance_count(f->store, &filter, counts, &f->err), PAWL_INVALID);
    const pw_definition_filter definitions = { .limit = 1,
                                               .namespaces = &namespace_,
                                               .namespace_count = 1 };
    pw_definition_row *versions = NULL;
    EXPECT_INT(pw_store_definition_list(f->store, &definitions, &versions, &count, &next, &f->arena,
                                        &f->err),
               PAWL_INVALID);
}

STORE_TEST(definitions_are_listed_of_several_namespaces)
{
    bool created = false;
    static const char *const namespaces[] = { "a", "b", "c" };
    for (size_t i = 0; i < 3; i++)
        EXPECT_OK(put_definition(f, namespaces[i], "order", "1.0.0", "digest", &created), f->err);
    const pw_str wanted[] = { S("c"), S("a"), S("x") };
    pw_definition_filter filter = { .limit = 9, .namespaces = wanted, .namespace_count = 3 };
    pw_definition_row *rows = NULL;
    size_t count = 0;
    pw_str next;
    EXPECT_OK(pw_store_definition_list(f->store, &filter, &rows, &count, &next, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 2);
    EXPECT_STR(rows[0].definition.namespace_, "a");
    EXPECT_STR(rows[1].definition.namespace_, "c");
    filter.namespace_count = 0;
    EXPECT_OK(pw_store_definition_list(f->store, &filter, &rows, &count, &next, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 3);
}

STORE_TEST(memory_that_runs_out_in_a_search_by_labels_is_reported)
{
    have_some(f);
    const pw_label ulm = { S("city"), S("Ulm") };
    const pw_str shop = S("shop");
    const pw_instance_filter filter = {
        .limit = 9, .labels = &ulm, .label_count = 1, .namespaces = &shop, .namespace_count = 1
    };
    bool done = false;
    for (uint64_t n = 1; n < 1000 && !done; n++) {
        uint64_t counts[PW_STATUS_COUNT];
        pw_alloc_fail_after(n);
        pawl_code code = pw_store_instance_count(f->store, &filter, counts, &f->err);
        pw_alloc_fail_after(0);
        done = code == PAWL_OK;
        EXPECT(done ? counts[PW_WAITING] == 1 : code == PAWL_NO_MEMORY);
    }
    EXPECT(done);
    done = false;
    for (uint64_t n = 1; n < 1000 && !done; n++) {
        pw_arena arena;
        pw_arena_init(&arena, 0);
        pw_instance_row *rows = NULL;
        size_t count = 0;
        pw_str next;
        pw_alloc_fail_after(n);
        pawl_code code =
            pw_store_instance_list(f->store, &filter, &rows, &count, &next, &arena, &f->err);
        pw_alloc_fail_after(0);
        done = code == PAWL_OK;
        EXPECT(done ? count == 2 : code == PAWL_NO_MEMORY);
        pw_arena_done(&arena);
    }
    EXPECT(done);
    pw_instance_new n = order_new;
    n.labels = S("{\"city\":\"Ulm\",\"tier\":\"tin\"}");
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    done = false;
    for (uint64_t at = 1; at < 1000 && !done; at++) {
        pw_commit_item item = item_of("new", 0, &t, 5000);
        item.create = &n;
        pw_alloc_fail_after(at);
        pawl_code code = pw_store_commit(f->store, &item, 1, &f->err);
        pw_alloc_fail_after(0);
        done = code == PAWL_OK && item.code == PAWL_OK;
        EXPECT(done || code == PAWL_NO_MEMORY);
    }
    EXPECT_TEXT(found(f, filter), "new b a");
}

/* ---- what a step and a start say of themselves */

STORE_TEST(a_trace_is_kept_with_its_instance_and_a_correlation_with_its_step)
{
    have_definition(f);
    static const char trace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    have_new(f, "a", 1000, PW_WAITING,
             (pw_instance_new){ .trace = S(trace), .correlation = S("c-1") });
    have_instance(f, "b", 1000);
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    pw_commit_item item = item_of("a", 1, &t, 2000);
    item.correlation = S("request-9");
    must_commit(f, &item);
    step(f, "a", 2, &t, 3000);
    restart(f);
    EXPECT_STR(get(f, "a").trace, trace);
    EXPECT_STR(get(f, "a").correlation, "c-1");
    EXPECT_STR(get(f, "b").trace, "");
    pw_step_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_steps(f->store, S("a"), 1, 9, &rows, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 3);
    EXPECT_STR(rows[0].correlation, "c-1");
    EXPECT_STR(rows[1].correlation, "request-9");
    EXPECT_STR(rows[2].correlation, "c-1");
    char long_text[513];
    memset(long_text, 'c', sizeof long_text);
    item = item_of("a", 3, &t, 4000);
    item.correlation = (pw_str){ long_text, 513 };
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    EXPECT_TEXT(item.error.message,
                "instance 'a': a correlation id must have at most 512 bytes and no NUL");
    item.correlation.len = 512;
    must_commit(f, &item);
    pw_instance_new n = order_new;
    n.trace = (pw_str){ long_text, 513 };
    item = item_of("c", 0, &t, 4000);
    item.create = &n;
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
}

/* ---- deleting */

/* Ended, with a row of each kind that the store of this test has a way to make. */
static void have_ended(fixture *f, const char *id)
{
    char event[64];
    (void)snprintf(event, sizeof event, "%s-1-0", id);
    pw_bookmark bookmarks[] = {
        { .kind = PW_BOOKMARK_USER, .task = S("/"), .visit = 1, .key = S("k"), .due_at = -1 },
        listen_bookmark(2, "wait-2"),
    };
    pw_subscription s = subscription(2, 0, "h1");
    pw_branch_row branch = { .fork = 1, .number = 1, .state = S("{}") };
    pw_payload payload = { .digest = S("d"), .text = S("1") };
    pw_outbox_event out = { .id = S(event), .type = S("t"), .source = S("s"), .payload = S("{}") };
    pw_call_intent call = { .task = S("/"),
                            .visit = 3,
                            .kind = S("http"),
                            .endpoint = S("x"),
                            .method = S("GET"),
                            .request = S("{}"),
                            .key = S("c") };
    pw_fault fault = { .task = S("/"),
                       .kind = S("f"),
                       .class_ = S("c"),
                       .decision = S("d"),
                       .action = S("a"),
                       .error = S("{}") };
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.bookmarks = bookmarks;
    t.bookmark_count = 2;
    t.subscriptions = &s;
    t.branches = &branch;
    t.payloads = &payload;
    t.events = &out;
    t.calls = &call;
    t.subscription_count = t.branch_count = t.payload_count = t.event_count = t.call_count = 1;
    t.fault = &fault;
    pw_instance_new n = order_new;
    n.labels = S("{\"city\":\"Ulm\"}");
    pw_commit_item item = item_of(id, 0, &t, 1000);
    item.create = &n;
    item.inbox = (pw_inbox_use){ .key = S("request:1"), .kind = S("start"), .answer = S("{}") };
    must_commit(f, &item);
    pw_inbox_row pending = {
        .target = S(id), .key = S("later"), .kind = S("resume"), .created_ms = 1
    };
    EXPECT_OK(pw_store_inbox_put(f->store, &pending, &f->err), f->err);
    t = transition(PW_CANCELLED, PW_WAKE_NEVER, "{}");
    t.resolution = S("cancelled");
    step(f, id, 1, &t, 2000);
}

/* How many rows of each kind there are of an instance. */
static const char *rows_of(fixture *f, const char *instance)
{
    pw_str id = S(instance), text;
    pw_instance_row row;
    pw_step_row *steps;
    pw_bookmark_row *bookmarks;
    pw_call_row *calls;
    pw_outbox_row *events;
    pw_fault_row *faults;
    pw_inbox_row inbox;
    size_t step_count = 0, bookmark_count = 0, call_count = 0, event_count = 0, fault_count = 0;
    pawl_code there = pw_store_instance_get(f->store, id, true, &row, &f->arena, &f->err);
    EXPECT_OK(pw_store_steps(f->store, id, 1, 9, &steps, &step_count, &f->arena, &f->err), f->err);
    EXPECT_OK(
        pw_store_bookmarks(f->store, id, false, &bookmarks, &bookmark_count, &f->arena, &f->err),
        f->err);
    EXPECT_OK(pw_store_calls(f->store, id, false, &calls, &call_count, &f->arena, &f->err), f->err);
    EXPECT_OK(pw_store_outbox(f->store, id, S(""), 9, &events, &event_count, &f->arena, &f->err),
              f->err);
    EXPECT_OK(pw_store_faults(f->store, id, &faults, &fault_count, &f->arena, &f->err), f->err);
    int inbox_count = 0;
    inbox_count +=
        pw_store_inbox_get(f->store, id, S("request:1"), &inbox, &f->arena, &f->err) == PAWL_OK;
    inbox_count +=
        pw_store_inbox_get(f->store, id, S("later"), &inbox, &f->arena, &f->err) == PAWL_OK;
    int payloads = pw_store_payload_get(f->store, id, S("d"), &text, &f->arena, &f->err) == PAWL_OK;
    words_begin();
    word("%d: %zu steps, %zu bookmarks, %zu calls, %zu events, %zu faults, %d commands, %d "
         "payloads, "
         "branches '%.*s'",
         there == PAWL_OK, step_count, bookmark_count, call_count, event_count, fault_count,
         inbox_count, payloads, there == PAWL_OK ? (int)row.branches.len : 0,
         there == PAWL_OK ? row.branches.ptr : "");
    return words_text;
}

static pawl_code delete (fixture *f, const char *id, uint64_t token)
{
    return pw_store_instance_delete(f->store, S(id), token, &f->err);
}

STORE_TEST(an_instance_that_has_ended_is_deleted_with_all_that_is_its_own)
{
    have_definition(f);
    have_ended(f, "i1");
    have_ended(f, "i2");
    static const char whole[] = "1: 2 steps, 2 bookmarks, 1 calls, 1 events, 1 faults, 2 commands, "
                                "1 payloads, branches '[[1,1,{}]]'";
    static const char nothing[] =
        "0: 0 steps, 0 bookmarks, 0 calls, 0 events, 0 faults, 0 commands, "
        "0 payloads, branches ''";
    EXPECT_TEXT(rows_of(f, "i1"), whole);
    EXPECT_OK(delete (f, "i1", 0), f->err);
    restart(f);
    EXPECT_TEXT(rows_of(f, "i1"), nothing);
    EXPECT_TEXT(rows_of(f, "i2"), whole);
    const pw_label ulm = { S("city"), S("Ulm") };
    EXPECT_TEXT(found(f, (pw_instance_filter){ .labels = &ulm, .label_count = 1 }), "i2");
    EXPECT_INT(delete (f, "i1", 0), PAWL_NOT_FOUND);
    EXPECT_INT(f->err.reason, PAWL_REASON_NO_INSTANCE);
    EXPECT_TEXT(f->err.message, "no instance 'i1'");
    have_ended(f, "i1"); /* the id may be used again */
    EXPECT_TEXT(rows_of(f, "i1"), whole);
    EXPECT_OK(delete (f, "i2", 0), f->err);
    EXPECT_TEXT(rows_of(f, "i1"), whole);
}

STORE_TEST(an_instance_that_lives_or_has_moved_on_is_not_deleted)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    EXPECT_INT(delete (f, "i1", 0), PAWL_STATE);
    EXPECT_INT(f->err.reason, PAWL_REASON_NOT_ENDED);
    EXPECT_TEXT(f->err.message, "instance 'i1' has not ended: cancel it first, or wait");
    pw_transition t = transition(PW_COMPLETED, PW_WAKE_NEVER, "{}");
    step(f, "i1", 1, &t, 2000);
    EXPECT_INT(delete (f, "i1", 1), PAWL_CONFLICT);
    EXPECT_INT(f->err.reason, PAWL_REASON_STALE_TOKEN);
    EXPECT_TEXT(f->err.message, "instance 'i1' has moved on from step 1: read it again");
    EXPECT_INT(get(f, "i1").token, 2);
    EXPECT_OK(delete (f, "i1", 2), f->err);
    EXPECT_INT(delete (f, "i1", 2), PAWL_NOT_FOUND);
}

static void end_of(fixture *f, const char *id, uint64_t token)
{
    pw_transition t = transition(PW_COMPLETED, PW_WAKE_NEVER, "{}");
    step(f, id, token, &t, 5000);
}

STORE_TEST(a_message_that_a_deleted_instance_took_stays_taken)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    have_listener(f, "i2", "h1");
    EXPECT_TEXT(route(f, receive(f, "e1"), "h1"), "delivered to 2");
    take(f, "i1", 1, 1, 1);
    end_of(f, "i1", 2);
    EXPECT_OK(delete (f, "i1", 0), f->err);
    give_back(f, "i2", 1, 1); /* nobody has it any more, but it had its effect */
    restart(f);
    EXPECT_TEXT(new_ones(f, 0, 9), "");
    EXPECT_TEXT(kept_ones(f, "", 0, 0, 9), "");
    have_listener(f, "i1", "h1"); /* another one, that has taken nothing yet */
    EXPECT_INT(claim(f, "i1", 1, "h1", 9, 3000), 0);
    receive(f, "e2"); /* the newest stays */
    EXPECT_TEXT(route(f, 2, "h9"), "kept");
    EXPECT_INT(expire(f, 9000, 9), 1);
}

STORE_TEST(a_message_that_a_deleted_instance_never_took_is_free_for_others)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    have_listener(f, "i2", "h2");
    EXPECT_TEXT(route(f, receive(f, "e1"), "h1"), "delivered to 1");
    EXPECT_TEXT(route(f, receive(f, "e2"), "h2"), "delivered to 1");
    end_of(f, "i1", 1);
    EXPECT_OK(delete (f, "i1", 0), f->err);
    restart(f);
    EXPECT_TEXT(new_ones(f, 0, 9), "1");
    EXPECT_TEXT(waiting(f, "i2"), "2@1");
    EXPECT_TEXT(with_deliveries(f, PW_ALL_PARTITIONS, "", 9), "i2");
    EXPECT_TEXT(route(f, 1, "h1"), "kept");
    have_listener(f, "i1", "h1");
    EXPECT_INT(claim(f, "i1", 1, "h1", 9, 3000), 1);
    EXPECT_TEXT(waiting(f, "i1"), "1@1");
}

STORE_TEST(a_message_that_waits_for_another_is_left_to_it_by_a_deletion)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    listen_for(f, "i1", 1, 2, "h1", NULL, NULL); /* twice in one instance */
    have_listener(f, "i2", "h1");
    EXPECT_TEXT(route(f, receive(f, "e1"), "h1"), "delivered to 3");
    take(f, "i1", 2, 2, 1);
    EXPECT_TEXT(route(f, receive(f, "e2"), "h1"), "delivered to 3");
    end_of(f, "i1", 3);
    EXPECT_OK(delete (f, "i1", 0), f->err);
    EXPECT_TEXT(new_ones(f, 0, 9), "");
    EXPECT_TEXT(waiting(f, "i2"), "1@1 2@1");
    give_back(f, "i2", 1, 2);
    EXPECT_TEXT(new_ones(f, 0, 9), "2"); /* which nobody has taken */
    take(f, "i2", 1, 1, 1);
    end_of(f, "i2", 2);
    EXPECT_OK(delete (f, "i2", 0), f->err);
    EXPECT_TEXT(new_ones(f, 0, 9), "2");
}

TEST_MAIN()
