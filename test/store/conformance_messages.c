/* conformance_messages.c - messages from outside, for all stores: what is received, who gets it,
 * what is kept for later, what is given back, and when it goes. */
#include "conformance.h"

/* ---- short ways */

static const pw_matcher orders = { .digest = { "m-orders", 8 },
                                   .type = { "order.paid", 10 },
                                   .parts = { "[{\"a\":\"id\"}]", 12 } };

static pw_subscription subscription(uint64_t visit, uint32_t ordinal, const char *hash)
{
    return (
        pw_subscription){ .visit = visit, .ordinal = ordinal, .matcher = orders, .hash = S(hash) };
}

static pw_bookmark listen_bookmark(uint64_t visit, const char *key)
{
    return (pw_bookmark){ .kind = PW_BOOKMARK_MESSAGE,
                          .task = S("/do/0/wait"),
                          .visit = visit,
                          .key = S(key),
                          .due_at = -1 };
}

/* A new instance that waits in visit 1 for messages under this hash. */
static void have_listener(fixture *f, const char *id, const char *hash)
{
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{\"at\":1}");
    pw_bookmark bookmark = listen_bookmark(1, "wait-1");
    pw_subscription s = subscription(1, 0, hash);
    t.bookmarks = &bookmark;
    t.bookmark_count = 1;
    t.subscriptions = &s;
    t.subscription_count = 1;
    step(f, id, 0, &t, 1000);
}

static pw_message_row message(const char *id, const char *body)
{
    return (pw_message_row){ .source = S("/shop"),
                             .id = S(id),
                             .type = S("order.paid"),
                             .body = S(body),
                             .received_ms = 2000,
                             .expires_ms = 9000 };
}

/* Its number. */
static uint64_t receive(fixture *f, const char *id)
{
    pw_message_row row = message(id, "{\"a\":1}");
    EXPECT_OK(pw_store_messages_put(f->store, &row, 1, &f->err), f->err);
    return row.number;
}

/* Routes one message under one hash; gives the state it has then. */
static pw_message_state route(fixture *f, uint64_t number, const char *hash)
{
    pw_str hashes[] = { S(hash) };
    pw_message_route r = { .number = number, .hashes = hashes, .count = 1 };
    pw_delivery_target *targets = NULL;
    size_t count = 0;
    EXPECT_OK(
        pw_store_messages_route(f->store, 100, &r, 1, 3000, &targets, &count, &f->arena, &f->err),
        f->err);
    EXPECT_INT(count, r.delivered);
    return r.state;
}

static size_t waiting_of(fixture *f, const char *instance, pw_delivery_row **rows)
{
    size_t count = 0;
    EXPECT_OK(pw_store_deliveries(f->store, S(instance), 0, 100, rows, &count, &f->arena, &f->err),
              f->err);
    return count;
}

/* ---- received */

STORE_TEST(a_message_is_numbered_and_new_until_it_is_routed)
{
    have_definition(f);
    pw_message_row two[] = { message("e1", "{\"n\":1}"), message("e2", "{\"n\":2}") };
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
    EXPECT_INT(route(f, 1, "h1"), PW_MESSAGE_KEPT);
    EXPECT_OK(pw_store_messages_new(f->store, 0, 10, &rows, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 1);
    EXPECT_INT(rows[0].number, 2);
}

/* ---- delivered, and taken */

STORE_TEST(a_message_goes_to_who_waits_for_it_and_is_taken_in_a_step)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    EXPECT_INT(receive(f, "e1"), 1);
    EXPECT_INT(route(f, 1, "h1"), PW_MESSAGE_DELIVERED);
    restart(f);
    pw_delivery_row *rows = NULL;
    EXPECT_INT(waiting_of(f, "i1", &rows), 1);
    EXPECT_INT(rows[0].visit, 1);
    EXPECT_INT(rows[0].number, 1);
    EXPECT_STR(rows[0].source, "/shop");
    EXPECT_STR(rows[0].id, "e1");
    EXPECT_STR(rows[0].actor, "system");
    EXPECT_STR(rows[0].body, "{\"a\":1}");
    pw_message_taken taken = { 1, 1 };
    pw_bookmark_end end = { .visit = 1, .key = S("wait-1"), .consumed = true };
    pw_transition t = transition(PW_RUNNING, 0, "{\"at\":2}");
    t.taken = &taken;
    t.taken_count = 1;
    t.bookmark_ends = &end;
    t.bookmark_end_count = 1;
    step(f, "i1", 1, &t, 4000);
    EXPECT_INT(waiting_of(f, "i1", &rows), 0);
    pw_subscription_row *left = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_subscriptions(f->store, S("i1"), S(""), NULL, 10, &left, &count, &f->arena,
                                     &f->err),
              f->err);
    EXPECT_INT(count, 0);
}

STORE_TEST(a_kept_message_goes_to_the_first_that_claims_it)
{
    have_definition(f);
    EXPECT_INT(receive(f, "e1"), 1);
    EXPECT_INT(route(f, 1, "h1"), PW_MESSAGE_KEPT);
    have_listener(f, "i1", "h1");
    have_listener(f, "i2", "h1");
    uint32_t claimed = 9;
    EXPECT_OK(pw_store_messages_claim(f->store, S("i2"), 1, S("h1"), 5, 3000, &claimed, &f->err),
              f->err);
    EXPECT_INT(claimed, 1);
    EXPECT_OK(pw_store_messages_claim(f->store, S("i1"), 1, S("h1"), 5, 3000, &claimed, &f->err),
              f->err);
    EXPECT_INT(claimed, 0);
    pw_delivery_row *rows = NULL;
    EXPECT_INT(waiting_of(f, "i2", &rows), 1);
    EXPECT_INT(waiting_of(f, "i1", &rows), 0);
}

/* ---- given back */

STORE_TEST(a_message_given_back_is_new_and_does_not_come_to_that_bookmark_again)
{
    have_definition(f);
    have_listener(f, "i1", "h1");
    EXPECT_INT(receive(f, "e1"), 1);
    EXPECT_INT(route(f, 1, "h1"), PW_MESSAGE_DELIVERED);
    pw_delivery_back back = { S("i1"), 1, 1 };
    EXPECT_OK(pw_store_deliveries_give_back(f->store, &back, 1, &f->err), f->err);
    EXPECT_OK(pw_store_deliveries_give_back(f->store, &back, 1, &f->err), f->err);
    EXPECT_INT(route(f, 1, "h1"), PW_MESSAGE_KEPT);
    uint32_t claimed = 9;
    EXPECT_OK(pw_store_messages_claim(f->store, S("i1"), 1, S("h1"), 5, 3000, &claimed, &f->err),
              f->err);
    EXPECT_INT(claimed, 0);
    have_listener(f, "i2", "h1");
    EXPECT_OK(pw_store_messages_claim(f->store, S("i2"), 1, S("h1"), 5, 3000, &claimed, &f->err),
              f->err);
    EXPECT_INT(claimed, 1);
}

/* ---- expired */

STORE_TEST(what_has_expired_goes_but_for_the_newest)
{
    have_definition(f);
    for (int i = 0; i < 3; i++) {
        static const char *const ids[] = { "e1", "e2", "e3" };
        EXPECT_INT(receive(f, ids[i]), i + 1);
        EXPECT_INT(route(f, (uint64_t)i + 1, "h1"), PW_MESSAGE_KEPT);
    }
    uint32_t deleted = 9;
    EXPECT_OK(pw_store_messages_expire(f->store, 8999, 10, &deleted, &f->err), f->err);
    EXPECT_INT(deleted, 0);
    EXPECT_OK(pw_store_messages_expire(f->store, 9000, 1, &deleted, &f->err), f->err);
    EXPECT_INT(deleted, 1);
    EXPECT_OK(pw_store_messages_expire(f->store, 9000, 10, &deleted, &f->err), f->err);
    EXPECT_INT(deleted, 1);
    EXPECT_INT(receive(f, "e4"), 4);
}

TEST_MAIN()
