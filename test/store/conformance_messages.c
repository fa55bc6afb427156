/* conformance_messages.c - messages from outside, for all stores: what is received, who gets it,
 * what is kept for later, what is given back, and when it goes. Who waits for them is in
 * conformance_listeners.c. */
#include <stdlib.h>

#include "messages.h"
#include "store/memory/memory.h"

/* ---- received */

STORE_TEST(a_message_is_numbered_and_new_until_it_is_routed)
{
    have_definition(f);
    pw_message_row two[] = { message("e1", "{\"n\":1}"), message("e2", "{\"n\":2}") };
    two[1].actor = S("ann");
    EXPECT_OK(pw_store_messages_put(f->store, two, 2, &f->err), f->err);
    EXPECT_INT(two[0].number, 1);
    EXPECT_INT(two[1].number, 2);
    EXPECT(!two[0].existed && !two[1].existed);
    restart(f);
    pw_message_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_messages_new(f->store, 0, 10, &rows, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 2);
    EXPECT_INT(rows[0].number, 1);
    EXPECT_STR(rows[0].source, "/shop");
    EXPECT_STR(rows[0].id, "e1");
    EXPECT_STR(rows[0].type, "order.paid");
    EXPECT_STR(rows[0].actor, "system");
    EXPECT_STR(rows[0].body, "{\"n\":1}");
    EXPECT_INT(rows[0].received_ms, 2000);
    EXPECT_INT(rows[0].expires_ms, 9000);
    EXPECT_INT(rows[0].state, PW_MESSAGE_NEW);
    EXPECT_INT(rows[1].number, 2);
    EXPECT_STR(rows[1].actor, "ann");
    EXPECT_TEXT(route(f, 1, "h1"), "kept");
    EXPECT_TEXT(new_ones(f, 0, 10), "2");
}

STORE_TEST(a_message_with_the_source_and_id_of_another_is_that_one)
{
    EXPECT_INT(receive(f, "e1"), 1);
    pw_message_row again[] = { message("e1", "{\"other\":true}"), message("e2", "{}"),
                               message("e2", "{\"twice\":1}"), message("e1", "{}") };
    again[3].source = S("/depot");
    EXPECT_OK(pw_store_messages_put(f->store, again, 4, &f->err), f->err);
    EXPECT(again[0].existed && !again[1].existed && again[2].existed && !again[3].existed);
    EXPECT_INT(again[0].number, 1);
    EXPECT_INT(again[0].state, PW_MESSAGE_NEW);
    EXPECT_INT(again[1].number, 2);
    EXPECT_INT(again[2].number, 2);
    EXPECT_INT(again[3].number, 3);
    EXPECT_TEXT(route(f, 1, "h1"), "kept");
    EXPECT_OK(pw_store_messages_put(f->store, again, 1, &f->err), f->err);
    EXPECT_INT(again[0].number, 1);
    EXPECT_INT(again[0].state, PW_MESSAGE_KEPT);
    EXPECT_TEXT(new_ones(f, 0, 10), "2 3");
    pw_message_row row;
    EXPECT_OK(pw_store_message_get(f->store, S("/shop"), S("e1"), &row, &f->arena, &f->err),
              f->err);
    EXPECT_STR(row.body, "{\"a\":1}"); /* of the first */
    EXPECT_INT(row.state, PW_MESSAGE_KEPT);
    EXPECT_INT(row.number, 1);
    EXPECT_INT(pw_store_message_get(f->store, S("/shop"), S("e3"), &row, &f->arena, &f->err),
               PAWL_NOT_FOUND);
    EXPECT_TEXT(f->err.message, "no message 'e3'");
}

STORE_TEST(a_message_that_cannot_be_stored_is_refused_with_all_that_came_with_it)
{
    static char long_text[1026];
    memset(long_text, 'x', sizeof long_text - 1);
    pw_message_row good = message("e1", "{}");
    pw_message_row bad[8];
    for (size_t i = 0; i < PW_LENGTH(bad); i++)
        bad[i] = message("e2", "{}");
    bad[0].source = S("");
    bad[1].id = S("");
    bad[2].type = S("");
    bad[3].body = S("");
    bad[4].source = S(long_text);
    bad[5].id = (pw_str){ "a\0b", 3 };
    bad[6].type = S(long_text);
    bad[7].actor = (pw_str){ long_text, 513 };
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        pw_message_row two[] = { good, bad[i] };
        EXPECT_INT(pw_store_messages_put(f->store, two, 2, &f->err), PAWL_INVALID);
    }
    EXPECT_TEXT(f->err.message,
                "message 'e2': an actor's name must have at most 512 bytes and no NUL");
    EXPECT_TEXT(new_ones(f, 0, 10), "");
    bad[4].source.len = bad[4].id.len = bad[6].type.len = 1024;
    bad[4].id = bad[4].type = bad[4].source;
    EXPECT_OK(pw_store_messages_put(f->store, &bad[4], 1, &f->err), f->err);
    EXPECT_OK(pw_store_messages_put(f->store, NULL, 0, &f->err), f->err);
}

STORE_TEST(new_messages_come_in_order_behind_a_number_in_pages)
{
    static const char *const ids[] = { "e5", "e4", "e3", "e2", "e1" };
    for (size_t i = 0; i < PW_LENGTH(ids); i++)
        EXPECT_INT(receive(f, ids[i]), i + 1);
    EXPECT_TEXT(new_ones(f, 0, 2), "1 2");
    EXPECT_TEXT(new_ones(f, 2, 2), "3 4");
    EXPECT_TEXT(new_ones(f, 4, 2), "5");
    EXPECT_TEXT(new_ones(f, 5, 2), "");
    EXPECT_TEXT(new_ones(f, UINT64_MAX, 2), "");
}

STORE_TEST(a_page_of_messages_ends_behind_eight_megabytes)
{
    enum { BYTES = 5 << 20 };
    have_definition(f);
    have_listener(f, "i1", "h1");
    char *large = malloc(BYTES);
    EXPECT(large != NULL);
    memset(large, '1', BYTES);
    static const char *const ids[] = { "e1", "e2", "e3" };
    for (size_t i = 0; i < 3; i++) {
        pw_message_row row = message(ids[i], "");
        row.body = (pw_str){ large, BYTES };
        EXPECT_OK(pw_store_messages_put(f->store, &row, 1, &f->err), f->err);
    }
    free(large);
    EXPECT_TEXT(new_ones(f, 0, 10), "1 2");
    EXPECT_TEXT(new_ones(f, 2, 10), "3");
    for (uint64_t i = 1; i <= 3; i++)
        EXPECT_TEXT(route(f, i, "other"), "kept");
    EXPECT_TEXT(kept_ones(f, "order.paid", 3000, 0, 10), "1 2");
    EXPECT_TEXT(kept_ones(f, "", 3000, 2, 10), "3");
    pw_message_key keys[] = { { S("h1"), 1 }, { S("h1"), 2 }, { S("h1"), 3 } };
    EXPECT_OK(pw_store_message_keys_put(f->store, S("m-orders"), keys, 3, false, &f->err), f->err);
    EXPECT_INT(claim(f, "i1", 1, "h1", 5, 3000), 3);
    EXPECT_TEXT(waiting(f, "i1"), "1@1 2@1");
    EXPECT_TEXT(waiting_behind(f, "i1", 2, 10), "3@1");
}

/* ---- routed */

STORE_TEST(a_message_goes_to_all_that_wait_for_it_and_to_nobody_else)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    have_listener(f, "i2", "h1");
    have_listener(f, "i3", "h2");
    EXPECT_INT(receive(f, "e1"), 1);
    pw_str hashes[] = { S("h0"), S("h1") };
    pw_message_route r = { .number = 1, .hashes = hashes, .count = 2 };
    pw_delivery_target *targets = NULL;
    size_t count = 0;
    EXPECT_OK(
        pw_store_messages_route(f->store, 1, &r, 1, 3000, &targets, &count, &f->arena, &f->err),
        f->err);
    EXPECT_INT(r.state, PW_MESSAGE_DELIVERED);
    EXPECT_INT(r.delivered, 2);
    EXPECT_INT(count, 2);
    EXPECT_STR(targets[0].instance, "i1");
    EXPECT_INT(targets[0].partition, 3);
    EXPECT_STR(targets[1].instance, "i2");
    EXPECT_INT(targets[1].partition, pw_store_partition(S("i2")));
    restart(f);
    EXPECT_TEXT(new_ones(f, 0, 10), "");
    EXPECT_TEXT(waiting(f, "i1"), "1@1");
    EXPECT_TEXT(waiting(f, "i2"), "1@1");
    EXPECT_TEXT(waiting(f, "i3"), "");
    EXPECT_TEXT(kept_ones(f, "", 3000, 0, 10), "");
    pw_delivery_row *rows = NULL;
    EXPECT_OK(pw_store_deliveries(f->store, S("i2"), 0, 10, &rows, &count, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 1);
    EXPECT_STR(rows[0].source, "/shop");
    EXPECT_STR(rows[0].id, "e1");
    EXPECT_STR(rows[0].actor, "system");
    EXPECT_STR(rows[0].body, "{\"a\":1}");
}

STORE_TEST(a_bookmark_gets_a_message_once_however_many_of_its_subscriptions_fit)
{
    have_definition(f);
    listen_for(f, "i1", 0, 1, "h1", "h1", "h2");
    listen_for(f, "i1", 1, 2, "h2", NULL, NULL);
    EXPECT_INT(receive(f, "e1"), 1);
    pw_str hashes[] = { S("h1"), S("h2") };
    pw_message_route r = { .number = 1, .hashes = hashes, .count = 2 };
    pw_delivery_target *targets = NULL;
    size_t count = 0;
    EXPECT_OK(
        pw_store_messages_route(f->store, 1, &r, 1, 3000, &targets, &count, &f->arena, &f->err),
        f->err);
    EXPECT_INT(r.delivered, 2); /* two bookmarks */
    EXPECT_INT(count, 2);
    EXPECT_TEXT(waiting(f, "i1"), "1@1 1@2");
}

STORE_TEST(a_hundred_listeners_each_get_a_message)
{
    have_definition(f);
    char id[16];
    for (int i = 0; i < 100; i++) {
        (void)snprintf(id, sizeof id, "n%02d", i);
        have_listener(f, id, "h1");
    }
    EXPECT_INT(receive(f, "e1"), 1);
    EXPECT_TEXT(route(f, 1, "h1"), "delivered to 100");
    for (int i = 0; i < 100; i++) {
        (void)snprintf(id, sizeof id, "n%02d", i);
        EXPECT_TEXT(waiting(f, id), "1@1");
    }
}

STORE_TEST(a_message_that_was_routed_is_not_routed_again)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    EXPECT_INT(receive(f, "e1"), 1);
    EXPECT_INT(receive(f, "e2"), 2);
    EXPECT_TEXT(route(f, 1, "h1"), "delivered to 1");
    EXPECT_TEXT(route(f, 2, "h2"), "kept");
    restart(f);
    have_listener(f, "i2", "h1");
    have_listener(f, "i3", "h2");
    EXPECT_TEXT(route(f, 1, "h1"), "delivered");
    EXPECT_TEXT(route(f, 2, "h2"), "kept"); /* i3 is to claim it */
    EXPECT_TEXT(waiting(f, "i2"), "");
    EXPECT_TEXT(waiting(f, "i3"), "");
    take(f, "i1", 1, 1, 1);
    EXPECT_TEXT(route(f, 1, "h1"), "delivered");
    EXPECT_TEXT(waiting(f, "i1"), "");
}

STORE_TEST(hashes_that_do_not_know_all_matchers_route_nothing)
{
    have_definition(f);
    EXPECT_INT(receive(f, "e1"), 1);
    have_listener(f, "i1", "h1"); /* its matcher is new */
    pw_message_route r = { .number = 1 };
    pw_delivery_target *targets = NULL;
    size_t count = 0;
    EXPECT_INT(
        pw_store_messages_route(f->store, 0, &r, 1, 3000, &targets, &count, &f->arena, &f->err),
        PAWL_CONFLICT);
    EXPECT_TEXT(f->err.message, "there are ways to look at messages that the hashes do not know: "
                                "read the matchers again");
    EXPECT_TEXT(new_ones(f, 0, 10), "1");
    EXPECT_TEXT(route(f, 1, "h1"), "delivered to 1");
}

STORE_TEST(a_number_that_no_message_has_routes_nothing_of_the_call)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    EXPECT_INT(receive(f, "e1"), 1);
    pw_str hashes[] = { S("h1") };
    pw_message_route r[] = { { .number = 1, .hashes = hashes, .count = 1 },
                             { .number = 7, .hashes = hashes, .count = 1 } };
    pw_delivery_target *targets = NULL;
    size_t count = 9;
    EXPECT_INT(
        pw_store_messages_route(f->store, 1, r, 2, 3000, &targets, &count, &f->arena, &f->err),
        PAWL_NOT_FOUND);
    EXPECT_TEXT(f->err.message, "no message 7");
    EXPECT_INT(count, 0);
    EXPECT_TEXT(waiting(f, "i1"), "");
    EXPECT_TEXT(new_ones(f, 0, 10), "1");
    hashes[0] = S("");
    EXPECT_INT(
        pw_store_messages_route(f->store, 1, r, 1, 3000, &targets, &count, &f->arena, &f->err),
        PAWL_INVALID);
}

/* ---- kept, and claimed */

STORE_TEST(kept_messages_are_found_by_type_until_they_expire)
{
    pw_message_row rows[] = { message("e1", "{}"), message("e2", "{}"), message("e3", "{}"),
                              message("e4", "{}") };
    rows[1].type = S("order.sent");
    rows[2].expires_ms = 3001;
    EXPECT_OK(pw_store_messages_put(f->store, rows, 4, &f->err), f->err);
    for (uint64_t i = 1; i <= 3; i++)
        EXPECT_TEXT(route(f, i, "h1"), "kept");
    EXPECT_TEXT(kept_ones(f, "order.paid", 3000, 0, 10), "1 3");
    EXPECT_TEXT(kept_ones(f, "order.paid", 3001, 0, 10), "1"); /* it has expired now */
    EXPECT_TEXT(kept_ones(f, "order.sent", 3000, 0, 10), "2");
    EXPECT_TEXT(kept_ones(f, "order", 3000, 0, 10), "");
    EXPECT_TEXT(kept_ones(f, "", 3000, 0, 10), "1 2 3");
    EXPECT_TEXT(kept_ones(f, "", 3000, 0, 2), "1 2");
    EXPECT_TEXT(kept_ones(f, "", 3000, 2, 2), "3");
    EXPECT_TEXT(kept_ones(f, "order.paid", 3000, 1, 1), "3");
}

STORE_TEST(a_kept_message_goes_to_the_first_that_claims_it)
{
    have_definition(f);
    EXPECT_INT(receive(f, "e1"), 1);
    pw_str hashes[] = { S("h1"), S("h2") };
    pw_message_route r = { .number = 1, .hashes = hashes, .count = 2 };
    pw_delivery_target *targets = NULL;
    size_t count = 0;
    EXPECT_OK(
        pw_store_messages_route(f->store, 1, &r, 1, 3000, &targets, &count, &f->arena, &f->err),
        f->err);
    EXPECT_INT(r.state, PW_MESSAGE_KEPT);
    EXPECT_INT(count, 0);
    have_listener(f, "i1", "h1");
    have_listener(f, "i2", "h2");
    restart(f);
    EXPECT_TEXT(fed(f, PW_ALL_PARTITIONS, NULL, 10), "i1/1/0:h1 i2/1/0:h2");
    EXPECT_INT(claim(f, "i2", 1, "h2", 5, 3000), 1);
    EXPECT_INT(claim(f, "i1", 1, "h1", 5, 3000), 0);
    EXPECT_TEXT(waiting(f, "i2"), "1@1");
    EXPECT_TEXT(waiting(f, "i1"), "");
    EXPECT_TEXT(fed(f, PW_ALL_PARTITIONS, NULL, 10), ""); /* its keys have gone */
    EXPECT_TEXT(kept_ones(f, "", 3000, 0, 10), "");
}

STORE_TEST(kept_messages_are_claimed_oldest_first_as_many_as_asked_for)
{
    have_definition(f);
    static const char *const ids[] = { "e1", "e2", "e3", "e4", "e5" };
    for (size_t i = 0; i < PW_LENGTH(ids); i++) {
        EXPECT_INT(receive(f, ids[i]), i + 1);
        EXPECT_TEXT(route(f, i + 1, i == 1 ? "h2" : "h1"), "kept");
    }
    have_listener(f, "i1", "h1");
    EXPECT_INT(claim(f, "i1", 1, "h1", 0, 3000), 0);
    EXPECT_INT(claim(f, "i1", 1, "h1", 2, 3000), 2);
    EXPECT_TEXT(waiting(f, "i1"), "1@1 3@1");
    EXPECT_INT(claim(f, "i1", 1, "h1", 10, 3000), 2);
    EXPECT_TEXT(waiting(f, "i1"), "1@1 3@1 4@1 5@1");
    EXPECT_TEXT(kept_ones(f, "", 3000, 0, 10), "2");
}

STORE_TEST(what_has_expired_is_not_claimed)
{
    have_definition(f);
    EXPECT_INT(receive(f, "e1"), 1);
    EXPECT_TEXT(route(f, 1, "h1"), "kept");
    have_listener(f, "i1", "h1");
    EXPECT_INT(claim(f, "i1", 1, "h1", 1, 9000), 0);
    EXPECT_INT(claim(f, "i1", 1, "h1", 1, 8999), 1);
}

STORE_TEST(only_a_subscription_that_is_open_claims)
{
    have_definition(f);
    EXPECT_INT(receive(f, "e1"), 1);
    EXPECT_TEXT(route(f, 1, "h1"), "kept");
    have_listener(f, "i1", "h1");
    EXPECT_INT(claim(f, "i1", 2, "h1", 1, 3000), 0);
    EXPECT_INT(claim(f, "i2", 1, "h1", 1, 3000), 0);
    EXPECT_INT(claim(f, "i1", 1, "h2", 1, 3000), 0);
    stop_listening(f, "i1", 1);
    EXPECT_INT(claim(f, "i1", 1, "h1", 1, 3000), 0);
    uint32_t claimed = 5;
    EXPECT_INT(pw_store_messages_claim(f->store, S("i1"), 1, S(""), 1, 3000, &claimed, &f->err),
               PAWL_INVALID);
    EXPECT_INT(claimed, 5);
}

STORE_TEST(keys_are_added_to_what_is_kept_only)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    have_listener(f, "i2", "h2");
    static const char *const ids[] = { "e1", "e2", "e3" };
    for (size_t i = 0; i < PW_LENGTH(ids); i++)
        EXPECT_INT(receive(f, ids[i]), i + 1);
    EXPECT_TEXT(route(f, 1, "h1"), "delivered to 1");
    EXPECT_TEXT(route(f, 2, "other"), "kept");
    pw_message_key keys[] = {
        { S("h2"), 1 }, { S("h2"), 2 }, { S("h2"), 2 }, { S("h2"), 3 }, { S("h2"), 4 }
    };
    for (int twice = 0; twice < 2; twice++)
        EXPECT_OK(pw_store_message_keys_put(f->store, S("m-orders"), keys, 5, false, &f->err),
                  f->err);
    EXPECT_INT(claim(f, "i2", 1, "h2", 10, 3000), 1);
    EXPECT_TEXT(waiting(f, "i2"), "2@1");
    EXPECT_TEXT(fed(f, PW_ALL_PARTITIONS, NULL, 10), ""); /* neither 1 nor 3 has a key */
    keys[0].hash = S("");
    EXPECT_INT(pw_store_message_keys_put(f->store, S("m-orders"), keys, 1, false, &f->err),
               PAWL_INVALID);
}

/* ---- given back */

STORE_TEST(a_message_given_back_is_new_and_does_not_come_to_that_bookmark_again)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    EXPECT_INT(receive(f, "e1"), 1);
    EXPECT_TEXT(route(f, 1, "h1"), "delivered to 1");
    give_back(f, "i1", 1, 1);
    restart(f);
    EXPECT_TEXT(waiting(f, "i1"), "");
    EXPECT_TEXT(new_ones(f, 0, 10), "1");
    EXPECT_TEXT(route(f, 1, "h1"), "kept");
    EXPECT_INT(claim(f, "i1", 1, "h1", 5, 3000), 0);
    listen_for(f, "i1", 1, 2, "h1", NULL, NULL); /* the next of its listens */
    EXPECT_INT(claim(f, "i1", 2, "h1", 5, 3000), 1);
    EXPECT_TEXT(waiting(f, "i1"), "1@2");
    give_back(f, "i1", 2, 1);
    have_listener(f, "i2", "h1");
    EXPECT_TEXT(route(f, 1, "h1"), "delivered to 1");
    EXPECT_TEXT(waiting(f, "i2"), "1@1");
    EXPECT_TEXT(waiting(f, "i1"), "");
}

STORE_TEST(a_message_that_somebody_else_has_is_not_new_when_it_is_given_back)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    have_listener(f, "i2", "h1");
    have_listener(f, "i3", "h1");
    EXPECT_INT(receive(f, "e1"), 1);
    EXPECT_TEXT(route(f, 1, "h1"), "delivered to 3");
    give_back(f, "i1", 1, 1);
    EXPECT_TEXT(new_ones(f, 0, 10), ""); /* two wait for it */
    take(f, "i2", 1, 1, 1);
    give_back(f, "i3", 1, 1);
    EXPECT_TEXT(new_ones(f, 0, 10), ""); /* one has taken it */
    give_back(f, "i2", 1, 1);            /* too late */
    EXPECT_TEXT(new_ones(f, 0, 10), "");
    EXPECT_TEXT(waiting(f, "i3"), "");
}

STORE_TEST(a_claim_steps_over_what_its_bookmark_gave_back)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    static const char *const ids[] = { "e1", "e2" };
    for (size_t i = 0; i < PW_LENGTH(ids); i++) {
        EXPECT_INT(receive(f, ids[i]), i + 1);
        EXPECT_TEXT(route(f, i + 1, i == 0 ? "h1" : "h2"), i == 0 ? "delivered to 1" : "kept");
    }
    give_back(f, "i1", 1, 1);
    EXPECT_TEXT(route(f, 1, "h1"), "kept");
    pw_message_key key = { S("h1"), 2 };
    EXPECT_OK(pw_store_message_keys_put(f->store, S("m-orders"), &key, 1, false, &f->err), f->err);
    EXPECT_INT(claim(f, "i1", 1, "h1", 1, 3000), 1);
    EXPECT_TEXT(waiting(f, "i1"), "2@1");
}

/* ---- what waits */

STORE_TEST(what_waits_comes_in_the_order_of_arrival_and_a_page_never_parts_a_message)
{
    have_definition(f);
    listen_for(f, "i1", 0, 1, "h1", NULL, NULL);
    listen_for(f, "i1", 1, 7, "h1", NULL, NULL);
    static const char *const ids[] = { "e1", "e2", "e3" };
    for (size_t i = 0; i < PW_LENGTH(ids); i++)
        EXPECT_INT(receive(f, ids[i]), i + 1);
    EXPECT_TEXT(route(f, 3, "h1"), "delivered to 2");
    EXPECT_TEXT(route(f, 1, "h1"), "delivered to 2");
    EXPECT_TEXT(route(f, 2, "h1"), "delivered to 2");
    EXPECT_TEXT(waiting(f, "i1"), "1@1 1@7 2@1 2@7 3@1 3@7");
    EXPECT_TEXT(waiting_behind(f, "i1", 0, 1), "1@1 1@7");
    EXPECT_TEXT(waiting_behind(f, "i1", 1, 3), "2@1 2@7 3@1 3@7");
    EXPECT_TEXT(waiting_behind(f, "i1", 3, 3), "");
    take(f, "i1", 2, 1, 2);
    give_back(f, "i1", 7, 1);
    EXPECT_TEXT(waiting(f, "i1"), "1@1 2@7 3@1 3@7");
    EXPECT_TEXT(waiting(f, "i2"), "");
}

STORE_TEST(instances_with_something_waiting_are_found_by_partition)
{
    have_definition(f);
    static const char *const ids[] = { "i1", "i2", "i3", "i4" };
    for (size_t i = 0; i < PW_LENGTH(ids); i++)
        have_listener(f, ids[i], i == 3 ? "h2" : "h1");
    EXPECT_INT(receive(f, "e1"), 1);
    EXPECT_INT(receive(f, "e2"), 2);
    EXPECT_TEXT(route(f, 1, "h1"), "delivered to 3");
    EXPECT_TEXT(route(f, 2, "h1"), "delivered to 3");
    restart(f);
    EXPECT_TEXT(with_deliveries(f, PW_ALL_PARTITIONS, "", 10), "i1 i2 i3");
    EXPECT_TEXT(with_deliveries(f, PW_ALL_PARTITIONS, "", 2), "i1 i2");
    EXPECT_TEXT(with_deliveries(f, PW_ALL_PARTITIONS, "i2", 2), "i3");
    EXPECT_TEXT(with_deliveries(f, UINT64_C(1) << pw_store_partition(S("i2")), "", 10), "i2");
    EXPECT_TEXT(with_deliveries(f, ~(UINT64_C(1) << pw_store_partition(S("i2"))), "", 10), "i1 i3");
    EXPECT_TEXT(with_deliveries(f, 0, "", 10), "");
    take(f, "i1", 1, 1, 1);
    EXPECT_TEXT(with_deliveries(f, PW_ALL_PARTITIONS, "", 10), "i1 i2 i3");
    take(f, "i1", 2, 1, 2);
    EXPECT_TEXT(with_deliveries(f, PW_ALL_PARTITIONS, "", 10), "i2 i3");
}

/* ---- expired */

STORE_TEST(what_has_expired_goes_but_for_the_newest)
{
    static const char *const ids[] = { "e1", "e2", "e3" };
    for (size_t i = 0; i < PW_LENGTH(ids); i++) {
        EXPECT_INT(receive(f, ids[i]), i + 1);
        EXPECT_TEXT(route(f, i + 1, "h1"), "kept");
    }
    EXPECT_INT(expire(f, 8999, 10), 0);
    EXPECT_INT(expire(f, 9000, 1), 1);
    EXPECT_TEXT(kept_ones(f, "", 3000, 0, 10), "2 3");
    EXPECT_INT(expire(f, 9000, 10), 1);
    EXPECT_INT(expire(f, 9000, 10), 0);
    restart(f);
    EXPECT_INT(receive(f, "e4"), 4); /* no number is given twice */
    EXPECT_INT(receive(f, "e1"), 5); /* it is not known any more */
    EXPECT_INT(expire(f, 9000, 10), 1);
    EXPECT_TEXT(new_ones(f, 0, 10), "4 5");
}

STORE_TEST(the_earliest_to_expire_goes_first)
{
    pw_message_row rows[] = { message("e1", "{}"), message("e2", "{}"), message("e3", "{}"),
                              message("e4", "{}") };
    rows[0].expires_ms = 7000;
    rows[1].expires_ms = 5000;
    rows[2].expires_ms = 6000;
    EXPECT_OK(pw_store_messages_put(f->store, rows, 4, &f->err), f->err);
    for (uint64_t i = 1; i <= 4; i++)
        EXPECT_TEXT(route(f, i, "h1"), "kept");
    EXPECT_INT(expire(f, 6500, 1), 1);
    EXPECT_TEXT(kept_ones(f, "", 3000, 0, 10), "1 3 4");
    EXPECT_INT(expire(f, 6500, 5), 1);
    EXPECT_TEXT(kept_ones(f, "", 3000, 0, 10), "1 4");
}

STORE_TEST(a_message_stays_while_it_is_to_be_routed_or_taken)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    have_listener(f, "i2", "h1");
    static const char *const ids[] = { "e1", "e2", "e3" };
    for (size_t i = 0; i < PW_LENGTH(ids); i++)
        EXPECT_INT(receive(f, ids[i]), i + 1);
    EXPECT_TEXT(route(f, 1, "h1"), "delivered to 2");
    EXPECT_INT(expire(f, 99000, 10), 0); /* 1 is to be taken, 2 to be routed */
    take(f, "i1", 1, 1, 1);
    EXPECT_INT(expire(f, 99000, 10), 0);
    give_back(f, "i2", 1, 1);
    EXPECT_INT(expire(f, 99000, 10), 1);
    EXPECT_TEXT(new_ones(f, 0, 10), "2 3");
    EXPECT_TEXT(route(f, 2, "h2"), "kept");
    EXPECT_INT(expire(f, 99000, 10), 1);
    have_listener(f, "i3", "h2");
    EXPECT_TEXT(fed(f, PW_ALL_PARTITIONS, NULL, 10), ""); /* its key went with it */
    pw_message_row row = message("e1", "{}"), *again = &row;
    EXPECT_OK(pw_store_messages_put(f->store, again, 1, &f->err), f->err);
    EXPECT_INT(row.number, 4);
    EXPECT(!row.existed);
}

/* ---- lost answers, lost memory */

/* The store fails at its next commit, which takes place or not; on disk the repetition alone is
 * tried: what fails there is in sqlite_disk.c. */
static void break_next(fixture *f, bool applied)
{
    if (!f->on_disk)
        pw_memory_fail_commit(f->store, 1, applied);
}

static void opened_again(fixture *f, pawl_code code)
{
    EXPECT_INT(code, f->on_disk ? PAWL_OK : PAWL_IO);
    EXPECT_OK(pw_store_reopen(f->store, &f->err), f->err);
}

STORE_TEST(every_call_may_be_repeated_when_its_answer_was_lost)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    static const char *const ids[] = { "e1", "e2" };
    for (size_t i = 0; i < 2; i++) {
        bool applied = i == 0;
        uint64_t n = i + 1;
        pw_message_row row = message(ids[i], "{}");
        break_next(f, applied);
        opened_again(f, pw_store_messages_put(f->store, &row, 1, &f->err));
        EXPECT_OK(pw_store_messages_put(f->store, &row, 1, &f->err), f->err);
        EXPECT_INT(row.number, n);
        EXPECT_INT(row.existed, applied || f->on_disk);

        pw_str hashes[] = { S("h1") };
        pw_message_route r = { .number = n, .hashes = hashes, .count = 1 };
        pw_delivery_target *targets = NULL;
        size_t count = 0;
        break_next(f, applied);
        opened_again(f, pw_store_messages_route(f->store, 1, &r, 1, 3000, &targets, &count,
                                                &f->arena, &f->err));
        EXPECT_OK(
            pw_store_messages_route(f->store, 1, &r, 1, 3000, &targets, &count, &f->arena, &f->err),
            f->err);
        EXPECT_INT(r.state, PW_MESSAGE_DELIVERED);
        EXPECT_TEXT(waiting_behind(f, "i1", n - 1, 10), i == 0 ? "1@1" : "2@1");

        pw_delivery_back back = { S("i1"), 1, n };
        break_next(f, applied);
        opened_again(f, pw_store_deliveries_give_back(f->store, &back, 1, &f->err));
        EXPECT_OK(pw_store_deliveries_give_back(f->store, &back, 1, &f->err), f->err);
        EXPECT_TEXT(new_ones(f, 0, 10), i == 0 ? "1" : "2");
        EXPECT_TEXT(route(f, n, "h1"), "kept");

        pw_message_key key = { S("h2"), n };
        break_next(f, applied);
        opened_again(f, pw_store_message_keys_put(f->store, S("m-orders"), &key, 1, true, &f->err));
        EXPECT_OK(pw_store_message_keys_put(f->store, S("m-orders"), &key, 1, true, &f->err),
                  f->err);

        uint32_t claimed = 0;
        have_listener(f, i == 0 ? "c0" : "c1", "h2");
        break_next(f, applied);
        opened_again(f, pw_store_messages_claim(f->store, S(i == 0 ? "c0" : "c1"), 1, S("h2"), 5,
                                                3000, &claimed, &f->err));
        EXPECT_OK(pw_store_messages_claim(f->store, S(i == 0 ? "c0" : "c1"), 1, S("h2"), 5, 3000,
                                          &claimed, &f->err),
                  f->err);
        EXPECT_INT(claimed, applied || f->on_disk ? 0 : 1);
        EXPECT_TEXT(waiting(f, i == 0 ? "c0" : "c1"), i == 0 ? "1@1" : "2@1");
        take(f, i == 0 ? "c0" : "c1", 1, 1, n);
    }
    EXPECT_INT(receive(f, "e3"), 3);
    uint32_t deleted = 0;
    break_next(f, true);
    opened_again(f, pw_store_messages_expire(f->store, 9000, 1, &deleted, &f->err));
    EXPECT_INT(expire(f, 9000, 1), 1);
    EXPECT_INT(expire(f, 9000, 1), 0);
}

/* Tries a write until no allocation fails; `same` says that nothing has changed. */
#define UNTIL_THERE_IS_MEMORY(call, same)                                                          \
    do {                                                                                           \
        pawl_code code_ = PAWL_NO_MEMORY;                                                          \
        for (uint64_t n_ = 1; n_ < 1000 && code_ != PAWL_OK; n_++) {                               \
            pw_alloc_fail_after(n_);                                                               \
            code_ = (call);                                                                        \
            pw_alloc_fail_after(0);                                                                \
            EXPECT(code_ == PAWL_OK || code_ == PAWL_NO_MEMORY);                                   \
            EXPECT(code_ == PAWL_OK || (same));                                                    \
            failures += code_ != PAWL_OK;                                                          \
        }                                                                                          \
        EXPECT_INT(code_, PAWL_OK);                                                                \
    } while (0)

STORE_TEST(memory_that_runs_out_leaves_messages_as_they_were)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    have_listener(f, "i2", "h1");
    uint64_t failures = 0;
    pw_message_row rows[] = { message("e1", "{}"), message("e2", "{}"), message("e3", "{}") };
    UNTIL_THERE_IS_MEMORY(pw_store_messages_put(f->store, rows, 3, &f->err),
                          strcmp(new_ones(f, 0, 10), "") == 0);
    EXPECT(f->on_disk || failures > 5);
    pw_str hashes[] = { S("h1"), S("h3") };
    pw_message_route r[] = { { .number = 1, .hashes = hashes, .count = 2 },
                             { .number = 2, .hashes = hashes + 1, .count = 1 } };
    size_t count = 0;
    pw_delivery_target *targets = NULL;
    pw_arena arena;
    failures = 0;
    for (pawl_code code = PAWL_NO_MEMORY; code != PAWL_OK;) {
        pw_arena_init(&arena, 0);
        pw_alloc_fail_after(++failures);
        code = pw_store_messages_route(f->store, 1, r, 2, 3000, &targets, &count, &arena, &f->err);
        pw_alloc_fail_after(0);
        EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY);
        EXPECT(code == PAWL_OK || strcmp(new_ones(f, 0, 10), "1 2 3") == 0);
        EXPECT(code == PAWL_OK || strcmp(waiting(f, "i1"), "") == 0);
        EXPECT_INT(count, code == PAWL_OK ? 2 : 0);
        pw_arena_done(&arena);
    }
    EXPECT(failures > 1);
    EXPECT_TEXT(kept_ones(f, "", 3000, 0, 10), "2");
    pw_delivery_back back[] = { { S("i1"), 1, 1 }, { S("i2"), 1, 1 } };
    failures = 0;
    UNTIL_THERE_IS_MEMORY(pw_store_deliveries_give_back(f->store, back, 2, &f->err),
                          strcmp(waiting(f, "i1"), "1@1") == 0);
    EXPECT_TEXT(new_ones(f, 0, 10), "1 3");
    pw_message_key keys[] = { { S("h4"), 2 }, { S("h1"), 2 } };
    UNTIL_THERE_IS_MEMORY(
        pw_store_message_keys_put(f->store, S("m-orders"), keys, 2, true, &f->err),
        strcmp(fed(f, PW_ALL_PARTITIONS, NULL, 10), "") == 0);
    uint32_t claimed = 9;
    UNTIL_THERE_IS_MEMORY(
        pw_store_messages_claim(f->store, S("i1"), 1, S("h1"), 5, 3000, &claimed, &f->err),
        strcmp(waiting(f, "i1"), "") == 0 && strcmp(kept_ones(f, "", 3000, 0, 10), "2") == 0);
    EXPECT_INT(claimed, 1);
    take(f, "i1", 1, 1, 2);
    uint32_t deleted = 9;
    pw_message_row row;
    UNTIL_THERE_IS_MEMORY(
        pw_store_messages_expire(f->store, 9000, 5, &deleted, &f->err),
        pw_store_message_get(f->store, S("/shop"), S("e2"), &row, &f->arena, &f->err) == PAWL_OK);
    EXPECT_INT(deleted, 1);
    EXPECT(f->on_disk || failures >= 10);
}

TEST_MAIN()
