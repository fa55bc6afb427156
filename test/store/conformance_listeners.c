/* conformance_listeners.c - who waits for messages, for all stores: subscriptions begin and end in
 * steps, with their bookmarks and instances, and a step takes what was delivered. */
#include "messages.h"

/* One subscription more, in a step of its own; gives the code. */
static pawl_code subscribe(fixture *f, const char *id, uint64_t token, const pw_subscription *s,
                           pw_commit_item *item)
{
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{\"at\":2}");
    pw_subscription copy = *s;
    t.subscriptions = &copy;
    t.subscription_count = 1;
    *item = item_of(id, token, &t, 2000);
    return commit_one(f, item);
}

/* ---- subscriptions and matchers */

STORE_TEST(subscriptions_are_found_by_instance_and_by_matcher_in_pages)
{
    have_definition(f);
    listen_for(f, "i2", 0, 1, "h1", "h2", NULL);
    listen_for(f, "i1", 0, 3, "h3", NULL, NULL);
    listen_for(f, "i1", 1, 10, "h1", NULL, NULL);
    restart(f);
    EXPECT_TEXT(subscriptions_of(f, "i1", "", NULL, 10), "i1/3/0:h3 i1/10/0:h1");
    EXPECT_TEXT(subscriptions_of(f, "i2", "", NULL, 1), "i2/1/0:h1");
    pw_subscription_row after = { .instance = S("i2"), .subscription = { .visit = 1 } };
    EXPECT_TEXT(subscriptions_of(f, "i2", "", &after, 10), "i2/1/1:h2");
    EXPECT_TEXT(subscriptions_of(f, "i3", "", NULL, 10), "");
    EXPECT_TEXT(subscriptions_of(f, "", "m-orders", NULL, 3), "i1/3/0:h3 i1/10/0:h1 i2/1/0:h1");
    EXPECT_TEXT(subscriptions_of(f, "", "m-orders", &after, 3), "i2/1/1:h2");
    EXPECT_TEXT(subscriptions_of(f, "", "m-other", NULL, 3), "");
    pw_subscription_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_subscriptions(f->store, S("i1"), S(""), NULL, 1, &rows, &count, &f->arena,
                                     &f->err),
              f->err);
    EXPECT_STR(rows[0].subscription.matcher.digest, "m-orders");
}

STORE_TEST(a_matcher_comes_with_its_first_subscription_and_is_completed_once)
{
    have_definition(f);
    uint64_t all = 9, complete = 9;
    EXPECT_OK(pw_store_matcher_count(f->store, &all, &complete, &f->err), f->err);
    EXPECT_INT(all, 0);
    EXPECT_INT(complete, 0);
    have_listener(f, "i1", "h1");
    have_listener(f, "i2", "h2");
    pw_subscription other = subscription(1, 1, "h3");
    other.matcher = (pw_matcher){ S("m-any"), S(""), S("[]") };
    pw_commit_item item;
    EXPECT_INT(subscribe(f, "i1", 1, &other, &item), PAWL_OK);
    EXPECT_OK(pw_store_matcher_count(f->store, &all, &complete, &f->err), f->err);
    EXPECT_INT(all, 2);
    EXPECT_INT(complete, 0);
    EXPECT_OK(pw_store_message_keys_put(f->store, S("m-orders"), NULL, 0, true, &f->err), f->err);
    EXPECT_OK(pw_store_message_keys_put(f->store, S("m-orders"), NULL, 0, true, &f->err), f->err);
    EXPECT_INT(pw_store_message_keys_put(f->store, S("m-none"), NULL, 0, true, &f->err),
               PAWL_NOT_FOUND);
    EXPECT_TEXT(f->err.message, "no matcher 'm-none'");
    restart(f);
    have_listener(f, "i3", "h1"); /* it stays complete */
    EXPECT_OK(pw_store_matcher_count(f->store, &all, &complete, &f->err), f->err);
    EXPECT_INT(all, 2);
    EXPECT_INT(complete, 1);
    pw_matcher_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_matchers(f->store, &rows, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 2);
    EXPECT_STR(rows[0].matcher.digest, "m-any");
    EXPECT_STR(rows[0].matcher.type, "");
    EXPECT_STR(rows[0].matcher.parts, "[]");
    EXPECT(!rows[0].complete);
    EXPECT_STR(rows[1].matcher.digest, "m-orders");
    EXPECT_STR(rows[1].matcher.type, "order.paid");
    EXPECT_STR(rows[1].matcher.parts, "[{\"a\":\"id\"}]");
    EXPECT(rows[1].complete);
}

STORE_TEST(subscriptions_that_a_kept_message_feeds_are_found_by_partition_in_pages)
{
    have_definition(f);
    listen_for(f, "i1", 0, 1, "h1", "h2", "h3");
    listen_for(f, "i2", 0, 1, "h1", NULL, NULL);
    listen_for(f, "i3", 0, 1, "h4", NULL, NULL);
    EXPECT_INT(receive(f, "e1"), 1);
    EXPECT_INT(receive(f, "e2"), 2);
    EXPECT_TEXT(route(f, 1, "h9"), "kept");
    EXPECT_TEXT(route(f, 2, "h9"), "kept");
    pw_message_key keys[] = { { S("h1"), 1 }, { S("h1"), 2 }, { S("h3"), 2 } };
    EXPECT_OK(pw_store_message_keys_put(f->store, S("m-orders"), keys, 3, false, &f->err), f->err);
    EXPECT_TEXT(fed(f, PW_ALL_PARTITIONS, NULL, 10), "i1/1/0:h1 i1/1/2:h3 i2/1/0:h1");
    EXPECT_TEXT(fed(f, PW_ALL_PARTITIONS, NULL, 1), "i1/1/0:h1");
    pw_subscription_row after = { .instance = S("i1"), .subscription = { .visit = 1 } };
    EXPECT_TEXT(fed(f, PW_ALL_PARTITIONS, &after, 1), "i1/1/2:h3");
    after.subscription.ordinal = 2;
    EXPECT_TEXT(fed(f, PW_ALL_PARTITIONS, &after, 10), "i2/1/0:h1");
    EXPECT_TEXT(fed(f, UINT64_C(1) << 3, NULL, 10), "i1/1/0:h1 i1/1/2:h3"); /* of i1 */
    EXPECT_TEXT(fed(f, ~(UINT64_C(1) << 3), NULL, 10), "i2/1/0:h1");
}

/* ---- how they end */

STORE_TEST(the_end_of_a_bookmark_ends_the_subscriptions_of_its_visit)
{
    have_definition(f);
    listen_for(f, "i1", 0, 1, "h1", "h2", NULL);
    listen_for(f, "i1", 1, 2, "h1", NULL, NULL);
    have_listener(f, "i2", "h1");
    stop_listening(f, "i1", 2);
    EXPECT_TEXT(subscriptions_of(f, "i1", "", NULL, 10), "i1/2/0:h1");
    EXPECT_TEXT(subscriptions_of(f, "i2", "", NULL, 10), "i2/1/0:h1");
    EXPECT_INT(receive(f, "e1"), 1);
    EXPECT_TEXT(route(f, 1, "h1"), "delivered to 2");
    EXPECT_INT(receive(f, "e2"), 2);
    EXPECT_TEXT(route(f, 2, "h2"), "kept");
    EXPECT_TEXT(waiting(f, "i1"), "1@2");
}

STORE_TEST(the_end_of_a_bookmark_of_another_kind_ends_no_subscription)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    pw_bookmark timer = {
        .kind = PW_BOOKMARK_TIMER, .task = S("/do/0/wait"), .visit = 1, .key = S("t"), .due_at = 9
    };
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.bookmarks = &timer;
    t.bookmark_count = 1;
    step(f, "i1", 1, &t, 2000);
    pw_bookmark_end end = { .visit = 1, .key = S("t"), .consumed = true };
    t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.bookmark_ends = &end;
    t.bookmark_end_count = 1;
    step(f, "i1", 2, &t, 3000);
    EXPECT_TEXT(subscriptions_of(f, "i1", "", NULL, 10), "i1/1/0:h1");
}

STORE_TEST(the_end_of_an_instance_ends_all_that_it_waits_for)
{
    static const pw_status ends[] = { PW_COMPLETED, PW_FAULTED, PW_CANCELLED };
    static const char *const ids[] = { "i1", "i2", "i3" };
    have_definition(f);
    have_listener(f, "i4", "h1");
    for (size_t i = 0; i < PW_LENGTH(ids); i++) {
        listen_for(f, ids[i], 0, 1, "h1", "h2", NULL);
        listen_for(f, ids[i], 1, 2, "h3", NULL, NULL);
        pw_transition t = transition(ends[i], PW_WAKE_NEVER, "{}");
        t.output = S(i == 0 ? "1" : "");
        t.error = S(i == 1 ? "{}" : "");
        step(f, ids[i], 2, &t, 3000);
        EXPECT_TEXT(subscriptions_of(f, ids[i], "", NULL, 10), "");
    }
    EXPECT_TEXT(subscriptions_of(f, "", "m-orders", NULL, 10), "i4/1/0:h1");
    EXPECT_INT(receive(f, "e1"), 1);
    EXPECT_TEXT(route(f, 1, "h1"), "delivered to 1");
}

STORE_TEST(a_subscription_is_replaced_in_one_step)
{
    have_definition(f);
    listen_for(f, "i1", 0, 1, "h1", "h2", NULL);
    pw_subscription_end end = { 1, 0 };
    pw_subscription next = subscription(1, 0, "h5");
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.subscription_ends = &end;
    t.subscription_end_count = 1;
    t.subscriptions = &next;
    t.subscription_count = 1;
    step(f, "i1", 1, &t, 2000);
    restart(f);
    EXPECT_TEXT(subscriptions_of(f, "i1", "", NULL, 10), "i1/1/0:h5 i1/1/1:h2");
    EXPECT_INT(receive(f, "e1"), 1);
    EXPECT_TEXT(route(f, 1, "h1"), "kept");
    EXPECT_INT(receive(f, "e2"), 2);
    EXPECT_TEXT(route(f, 2, "h5"), "delivered to 1");
}

/* ---- taken */

STORE_TEST(a_message_is_taken_once_in_the_step_that_it_causes)
{
    have_definition(f);
    listen_for(f, "i1", 0, 1, "h1", NULL, NULL);
    listen_for(f, "i1", 1, 2, "h1", NULL, NULL);
    EXPECT_INT(receive(f, "e1"), 1);
    EXPECT_TEXT(route(f, 1, "h1"), "delivered to 2");
    take(f, "i1", 2, 2, 1);
    restart(f);
    EXPECT_TEXT(waiting(f, "i1"), "1@1");
    pw_transition t;
    pw_message_taken taken = { 2, 1 };
    pw_commit_item item = taking("i1", 3, &t, &taken);
    EXPECT_INT(commit_one(f, &item), PAWL_CONFLICT);
    EXPECT_TEXT(item.error.message,
                "instance 'i1': message 1 was delivered to visit 2 and has had its effect already");
    EXPECT_INT(get(f, "i1").token, 3);
    take(f, "i1", 3, 1, 1);
    EXPECT_TEXT(waiting(f, "i1"), "");
}

STORE_TEST(a_message_that_was_not_delivered_is_not_taken)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    have_listener(f, "i2", "h1");
    have_listener(f, "i3", "h3");
    EXPECT_INT(receive(f, "e1"), 1);
    EXPECT_TEXT(route(f, 1, "h1"), "delivered to 2");
    static const pw_message_taken wrong[] = { { 1, 2 }, { 2, 1 }, { 1, 0 } };
    pw_transition t[3];
    pw_message_taken taken = { 1, 1 };
    pw_commit_item item;
    for (size_t i = 0; i < PW_LENGTH(wrong); i++) {
        pw_message_taken copy = wrong[i];
        item = taking("i1", 1, &t[0], &copy);
        EXPECT_INT(commit_one(f, &item), PAWL_CORRUPT);
    }
    EXPECT_TEXT(item.error.message, "instance 'i1': message 0 was not delivered to visit 1: its "
                                    "state and its rows do not agree");
    give_back(f, "i1", 1, 1);
    item = taking("i1", 1, &t[0], &taken);
    EXPECT_INT(commit_one(f, &item), PAWL_CORRUPT); /* not any more */
    /* In a batch the others go on. */
    pw_commit_item batch[] = { taking("i3", 1, &t[0], &taken), taking("i2", 1, &t[1], &taken),
                               taking("i1", 1, &t[2], &taken) };
    t[2].taken_count = 0;
    EXPECT_OK(pw_store_commit(f->store, batch, 3, &f->err), f->err);
    EXPECT_INT(batch[0].code, PAWL_CORRUPT);
    EXPECT_INT(batch[1].code, PAWL_OK);
    EXPECT_INT(batch[2].code, PAWL_OK);
    EXPECT_INT(get(f, "i3").token, 1);
    EXPECT_INT(get(f, "i2").token, 2);
    EXPECT_TEXT(waiting(f, "i2"), "");
}

STORE_TEST(a_step_that_loses_its_race_takes_nothing)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    EXPECT_INT(receive(f, "e1"), 1);
    EXPECT_TEXT(route(f, 1, "h1"), "delivered to 1");
    pw_transition t;
    pw_message_taken taken = { 1, 1 };
    pw_commit_item item = taking("i1", 5, &t, &taken);
    EXPECT_INT(commit_one(f, &item), PAWL_CONFLICT);
    EXPECT_TEXT(waiting(f, "i1"), "1@1");
}

/* ---- refused */

STORE_TEST(a_subscription_without_an_open_bookmark_for_messages_is_refused)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    pw_commit_item item;
    pw_subscription s = subscription(2, 0, "h1");
    EXPECT_INT(subscribe(f, "i1", 1, &s, &item), PAWL_CORRUPT);
    EXPECT_TEXT(item.error.message,
                "instance 'i1': visit 2 subscribes to messages and has no open bookmark for them: "
                "its state and its rows do not agree");
    s = subscription(1, 1, "h1");
    stop_listening(f, "i1", 1);
    EXPECT_INT(subscribe(f, "i1", 2, &s, &item), PAWL_CORRUPT); /* it is closed */
    pw_bookmark person = {
        .kind = PW_BOOKMARK_USER, .task = S("/do/0/ask"), .visit = 3, .key = S("k"), .due_at = -1
    };
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.bookmarks = &person;
    t.bookmark_count = 1;
    step(f, "i1", 2, &t, 3000);
    s = subscription(3, 0, "h1");
    EXPECT_INT(subscribe(f, "i1", 3, &s, &item), PAWL_CORRUPT); /* of another kind */
    EXPECT_TEXT(subscriptions_of(f, "i1", "", NULL, 10), "");
    uint64_t all = 0, complete = 0;
    s.matcher.digest = S("m-new");
    EXPECT_INT(subscribe(f, "i1", 3, &s, &item), PAWL_CORRUPT);
    EXPECT_OK(pw_store_matcher_count(f->store, &all, &complete, &f->err), f->err);
    EXPECT_INT(all, 1); /* nothing of the step was written */
}

STORE_TEST(a_subscription_that_is_there_or_ends_without_being_there_is_refused)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    pw_commit_item item;
    pw_subscription s = subscription(1, 0, "h2");
    EXPECT_INT(subscribe(f, "i1", 1, &s, &item), PAWL_INVALID);
    pw_subscription_end ends[] = { { 1, 0 }, { 1, 1 } };
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.subscription_ends = ends;
    t.subscription_end_count = 2;
    item = item_of("i1", 1, &t, 2000);
    EXPECT_INT(commit_one(f, &item), PAWL_CORRUPT);
    EXPECT_TEXT(item.error.message,
                "instance 'i1': no subscription 1 of visit 1: its state and its rows do not agree");
    EXPECT_TEXT(subscriptions_of(f, "i1", "", NULL, 10), "i1/1/0:h1");
}

STORE_TEST(a_subscription_that_does_not_fit_its_columns_is_refused)
{
    static char long_text[1026];
    memset(long_text, 'x', sizeof long_text - 1);
    have_definition(f);
    have_listener(f, "i1", "h1");
    pw_subscription bad[7];
    for (uint32_t i = 0; i < PW_LENGTH(bad); i++)
        bad[i] = subscription(1, 1, "h2");
    bad[0].hash = S("");
    bad[1].hash = (pw_str){ long_text, 129 };
    bad[2].matcher.digest = S("");
    bad[3].matcher.digest = (pw_str){ long_text, 129 };
    bad[4].matcher.type = (pw_str){ long_text, 1025 };
    bad[5].matcher.parts = S("");
    bad[6].visit = UINT64_MAX;
    pw_commit_item item;
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        EXPECT_INT(subscribe(f, "i1", 1, &bad[i], &item), PAWL_INVALID);
        EXPECT_TEXT(item.error.message,
                    "instance 'i1': a subscription's digest, hash or type is empty or too long");
    }
    pw_subscription s = subscription(1, 1, "h2");
    pw_transition t = transition(PW_COMPLETED, PW_WAKE_NEVER, "{}");
    t.subscriptions = &s;
    t.subscription_count = 1;
    item = item_of("i1", 1, &t, 2000);
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    EXPECT_TEXT(item.error.message, "instance 'i1': what has ended subscribes to nothing");
    pw_subscription_end end = { UINT64_MAX, 0 };
    t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.subscription_ends = &end;
    t.subscription_end_count = 1;
    item = item_of("i1", 1, &t, 2000);
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    pw_message_taken taken = { 1, UINT64_MAX };
    item = taking("i1", 1, &t, &taken);
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    EXPECT_TEXT(subscriptions_of(f, "i1", "", NULL, 10), "i1/1/0:h1");
}

/* ---- memory, and scale */

STORE_TEST(memory_that_runs_out_in_a_step_leaves_who_waits_as_it_was)
{
    have_definition(f);
    listen_for(f, "i1", 0, 1, "h1", "h2", NULL);
    EXPECT_INT(receive(f, "e1"), 1);
    EXPECT_TEXT(route(f, 1, "h1"), "delivered to 1");
    pw_message_taken taken = { 1, 1 };
    pw_subscription_end ends = { 1, 1 };
    pw_bookmark_end bookmark_end = { .visit = 1, .key = S("wait-1") };
    pw_bookmark bookmark = listen_bookmark(2, "wait-2");
    pw_subscription next = subscription(2, 0, "h7");
    next.matcher.digest = S("m-next");
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.taken = &taken;
    t.subscription_ends = &ends;
    t.bookmark_ends = &bookmark_end;
    t.bookmarks = &bookmark;
    t.subscriptions = &next;
    t.taken_count = t.subscription_end_count = t.bookmark_end_count = t.bookmark_count =
        t.subscription_count = 1;
    pawl_code code = PAWL_NO_MEMORY;
    uint64_t failures = 0;
    for (uint64_t n = 1; n < 1000 && code != PAWL_OK; n++) {
        pw_commit_item item = item_of("i1", 1, &t, 2000);
        pw_alloc_fail_after(n);
        code = pw_store_commit(f->store, &item, 1, &f->err);
        pw_alloc_fail_after(0);
        EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY);
        if (code == PAWL_OK)
            break;
        failures++;
        EXPECT_TEXT(waiting(f, "i1"), "1@1");
        EXPECT_TEXT(subscriptions_of(f, "i1", "", NULL, 10), "i1/1/0:h1 i1/1/1:h2");
        EXPECT_TEXT(subscriptions_of(f, "", "m-next", NULL, 10), "");
    }
    EXPECT_INT(code, PAWL_OK);
    EXPECT(f->on_disk || failures >= 8);
    EXPECT_TEXT(waiting(f, "i1"), "");
    EXPECT_TEXT(subscriptions_of(f, "i1", "", NULL, 10), "i1/2/0:h7");
    EXPECT_TEXT(subscriptions_of(f, "", "m-next", NULL, 10), "i1/2/0:h7");
}

/* Many wait for other values of the same matcher. */
static void have_crowd(fixture *f, size_t many)
{
    enum { BATCH = 500 };
    static char ids[BATCH][32], hashes[BATCH][32];
    static pw_transition t[BATCH];
    static pw_subscription s[BATCH];
    static pw_commit_item items[BATCH];
    pw_bookmark bookmark = listen_bookmark(1, "wait-1");
    for (size_t i = 0; i < many; i++) {
        size_t at = i % BATCH;
        (void)snprintf(ids[at], sizeof ids[at], "c%05zu", i);
        (void)snprintf(hashes[at], sizeof hashes[at], "other%05zu", i);
        t[at] = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
        s[at] = subscription(1, 0, hashes[at]);
        t[at].bookmarks = &bookmark;
        t[at].subscriptions = &s[at];
        t[at].bookmark_count = t[at].subscription_count = 1;
        items[at] = item_of(ids[at], 0, &t[at], 1000);
        if (at + 1 < BATCH)
            continue;
        EXPECT_OK(pw_store_commit(f->store, items, BATCH, &f->err), f->err);
        EXPECT_INT(items[0].code, PAWL_OK);
    }
}

STORE_TEST(what_a_message_costs_does_not_grow_with_who_waits_for_others)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    uint64_t statements[2], rows[2];
    static const char *const ids[] = { "e1", "e2" };
    for (size_t i = 0; i < 2; i++) {
        pw_store_counts before = counts(f);
        EXPECT_INT(receive(f, ids[i]), i + 1);
        EXPECT_TEXT(route(f, i + 1, "h1"), "delivered to 1");
        statements[i] = counts(f).statements - before.statements;
        rows[i] = counts(f).rows - before.rows;
        have_crowd(f, i == 0 ? 10000 : 0);
    }
    EXPECT_INT(statements[1], statements[0]);
    EXPECT_INT(rows[1], rows[0]);
    if (f->on_disk) {
        /* begin, insert, commit; begin, count of matchers, state, deliveries, state, commit */
        EXPECT_INT(statements[0], 9);
        EXPECT_INT(rows[0], 3); /* the message, its delivery, its state */
    }
    EXPECT_TEXT(subscriptions_of(f, "c09999", "", NULL, 10), "c09999/1/0:other09999");
}

TEST_MAIN()
