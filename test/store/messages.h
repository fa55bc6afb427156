/* messages.h - short ways to receive, route and wait for messages, and to write down what is there.
 */
#ifndef STORE_MESSAGES_H
#define STORE_MESSAGES_H

#include <stdarg.h>

#include "conformance.h"

static const pw_matcher orders = { .digest = { "m-orders", 8 },
                                   .type = { "order.paid", 10 },
                                   .parts = { "[{\"a\":\"id\"}]", 12 } };

static inline pw_subscription subscription(uint64_t visit, uint32_t ordinal, const char *hash)
{
    return (
        pw_subscription){ .visit = visit, .ordinal = ordinal, .matcher = orders, .hash = S(hash) };
}

static inline pw_bookmark listen_bookmark(uint64_t visit, const char *key)
{
    return (pw_bookmark){ .kind = PW_BOOKMARK_MESSAGE,
                          .task = S("/do/0/wait"),
                          .visit = visit,
                          .key = S(key),
                          .due_at = -1 };
}

/* A step of an instance that opens the bookmark wait-VISIT, with up to three subscriptions
 * (ordinals 0 to 2) under these hashes. */
static inline void listen_for(fixture *f, const char *id, uint64_t token, uint64_t visit,
                              const char *a, const char *b, const char *c)
{
    char key[32];
    (void)snprintf(key, sizeof key, "wait-%llu", (unsigned long long)visit);
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{\"at\":1}");
    pw_bookmark bookmark = listen_bookmark(visit, key);
    const char *const hashes[] = { a, b, c };
    pw_subscription s[3];
    for (uint32_t i = 0; i < 3 && hashes[i]; i++)
        s[t.subscription_count++] = subscription(visit, i, hashes[i]);
    t.bookmarks = &bookmark;
    t.bookmark_count = 1;
    t.subscriptions = s;
    step(f, id, token, &t, 1000);
}

/* A new instance that waits in visit 1 for messages under this hash. */
static inline void have_listener(fixture *f, const char *id, const char *hash)
{
    listen_for(f, id, 0, 1, hash, NULL, NULL);
}

/* Its bookmark ends, and so its subscriptions. */
static inline void stop_listening(fixture *f, const char *id, uint64_t token)
{
    pw_bookmark_end end = { .visit = 1, .key = S("wait-1") };
    pw_transition t = transition(PW_RUNNING, 0, "{\"at\":2}");
    t.bookmark_ends = &end;
    t.bookmark_end_count = 1;
    step(f, id, token, &t, 2000);
}

static inline pw_message_row message(const char *id, const char *body)
{
    return (pw_message_row){ .source = S("/shop"),
                             .id = S(id),
                             .type = S("order.paid"),
                             .body = S(body),
                             .received_ms = 2000,
                             .expires_ms = 9000 };
}

/* Its number. */
static inline uint64_t receive(fixture *f, const char *id)
{
    pw_message_row row = message(id, "{\"a\":1}");
    EXPECT_OK(pw_store_messages_put(f->store, &row, 1, &f->err), f->err);
    return row.number;
}

/* Routes one message under one hash; "new", "delivered to N" or "kept". */
static inline const char *route(fixture *f, uint64_t number, const char *hash)
{
    static char text[64];
    static const char *const states[] = { "new", "delivered", "kept" };
    pw_str hashes[] = { S(hash) };
    pw_message_route r = { .number = number, .hashes = hashes, .count = 1 };
    pw_delivery_target *targets = NULL;
    size_t count = 0;
    EXPECT_OK(
        pw_store_messages_route(f->store, 100, &r, 1, 3000, &targets, &count, &f->arena, &f->err),
        f->err);
    EXPECT_INT(count, r.delivered);
    if (r.delivered > 0)
        (void)snprintf(text, sizeof text, "%s to %u", states[r.state], r.delivered);
    else
        (void)snprintf(text, sizeof text, "%s", states[r.state]);
    return text;
}

/* Claims up to `most` at a time; gives how many. */
static inline uint32_t claim(fixture *f, const char *instance, uint64_t visit, const char *hash,
                             uint32_t most, int64_t now_ms)
{
    uint32_t claimed = 99;
    EXPECT_OK(pw_store_messages_claim(f->store, S(instance), visit, S(hash), most, now_ms, &claimed,
                                      &f->err),
              f->err);
    return claimed;
}

static inline void give_back(fixture *f, const char *instance, uint64_t visit, uint64_t number)
{
    pw_delivery_back back = { S(instance), visit, number };
    EXPECT_OK(pw_store_deliveries_give_back(f->store, &back, 1, &f->err), f->err);
}

static inline pw_commit_item taking(const char *id, uint64_t token, pw_transition *t,
                                    pw_message_taken *taken)
{
    *t = transition(PW_WAITING, PW_WAKE_NEVER, "{\"at\":2}");
    t->taken = taken;
    t->taken_count = 1;
    return item_of(id, token, t, 4000);
}

static inline void take(fixture *f, const char *id, uint64_t token, uint64_t visit, uint64_t number)
{
    pw_transition t;
    pw_message_taken taken = { visit, number };
    pw_commit_item item = taking(id, token, &t, &taken);
    must_commit(f, &item);
}

/* ---- what is there, in words */

static char words_text[512];
static size_t words_at;

static inline void words_begin(void)
{
    words_at = 0;
    words_text[0] = '\0';
}

__attribute__((format(printf, 1, 2))) static inline void word(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (words_at > 0)
        words_text[words_at++] = ' ';
    words_at +=
        (size_t)vsnprintf(words_text + words_at, sizeof words_text - words_at, format, args);
    va_end(args);
    EXPECT(words_at < sizeof words_text);
}

/* "NUMBER@VISIT ..." of what waits to be taken. */
static inline const char *waiting_behind(fixture *f, const char *instance, uint64_t after,
                                         uint32_t limit)
{
    pw_delivery_row *rows = NULL;
    size_t count = 0;
    words_begin();
    EXPECT_OK(
        pw_store_deliveries(f->store, S(instance), after, limit, &rows, &count, &f->arena, &f->err),
        f->err);
    for (size_t i = 0; i < count; i++)
        word("%llu@%llu", (unsigned long long)rows[i].number, (unsigned long long)rows[i].visit);
    return words_text;
}

static inline const char *waiting(fixture *f, const char *instance)
{
    return waiting_behind(f, instance, 0, 100);
}

static inline const char *numbers(const pw_message_row *rows, size_t count)
{
    words_begin();
    for (size_t i = 0; i < count; i++)
        word("%llu", (unsigned long long)rows[i].number);
    return words_text;
}

static inline const char *new_ones(fixture *f, uint64_t after, uint32_t limit)
{
    pw_message_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_messages_new(f->store, after, limit, &rows, &count, &f->arena, &f->err),
              f->err);
    return numbers(rows, count);
}

static inline const char *kept_ones(fixture *f, const char *type, int64_t now_ms, uint64_t after,
                                    uint32_t limit)
{
    pw_message_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_messages_kept(f->store, S(type), now_ms, after, limit, &rows, &count,
                                     &f->arena, &f->err),
              f->err);
    return numbers(rows, count);
}

/* "INSTANCE/VISIT/ORDINAL:HASH ..." */
static inline const char *places(const pw_subscription_row *rows, size_t count)
{
    words_begin();
    for (size_t i = 0; i < count; i++)
        word("%.*s/%llu/%u:%.*s", (int)rows[i].instance.len, rows[i].instance.ptr,
             (unsigned long long)rows[i].subscription.visit, rows[i].subscription.ordinal,
             (int)rows[i].subscription.hash.len, rows[i].subscription.hash.ptr);
    return words_text;
}

static inline const char *subscriptions_of(fixture *f, const char *instance, const char *matcher,
                                           const pw_subscription_row *after, uint32_t limit)
{
    pw_subscription_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_subscriptions(f->store, S(instance), S(matcher), after, limit, &rows, &count,
                                     &f->arena, &f->err),
              f->err);
    return places(rows, count);
}

static inline const char *fed(fixture *f, uint64_t partitions, const pw_subscription_row *after,
                              uint32_t limit)
{
    pw_subscription_row *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_subscriptions_fed(f->store, partitions, after, limit, &rows, &count,
                                         &f->arena, &f->err),
              f->err);
    return places(rows, count);
}

static inline const char *with_deliveries(fixture *f, uint64_t partitions, const char *after,
                                          uint32_t limit)
{
    pw_str *ids = NULL;
    size_t count = 0;
    words_begin();
    EXPECT_OK(pw_store_deliveries_pending(f->store, partitions, S(after), limit, &ids, &count,
                                          &f->arena, &f->err),
              f->err);
    for (size_t i = 0; i < count; i++)
        word("%.*s", (int)ids[i].len, ids[i].ptr);
    return words_text;
}

static inline uint32_t expire(fixture *f, int64_t now_ms, uint32_t most)
{
    uint32_t deleted = 99;
    EXPECT_OK(pw_store_messages_expire(f->store, now_ms, most, &deleted, &f->err), f->err);
    return deleted;
}
#endif
