/* fixture.h - a store to test, and short ways to write what it is given. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include "test.h"
#include "store/store.h"

typedef struct fixture {
    pw_store *store;
    pw_arena arena; /* of what was read */
    pawl_error err;
    bool on_disk;
    char uri[512];
} fixture;

static inline pw_str S(const char *text)
{
    return pw_str_of(text);
}

static inline void fixture_open(fixture *f, bool on_disk)
{
    memset(f, 0, sizeof *f);
    pw_arena_init(&f->arena, 0);
    f->on_disk = on_disk;
    if (on_disk)
        (void)snprintf(f->uri, sizeof f->uri, "sqlite:%s/test.db", pw_test_dir());
    else
        (void)snprintf(f->uri, sizeof f->uri, "memory:");
    pw_store_options options = { S(f->uri), PW_STORE_OWN, true };
    EXPECT_OK(pw_store_open(&f->store, &options, &f->err), f->err);
}

static inline void fixture_done(fixture *f)
{
    pw_store_close(f->store);
    pw_arena_done(&f->arena);
}

/* What is on the disk must be all there is; a store in memory has nothing else. */
static inline void restart(fixture *f)
{
    if (!f->on_disk)
        return;
    pw_store_close(f->store);
    pw_store_options options = { S(f->uri), PW_STORE_OWN, false };
    EXPECT_OK(pw_store_open(&f->store, &options, &f->err), f->err);
}

/* ---- definitions */

static inline pawl_code put_definition(fixture *f, const char *namespace_, const char *name,
                                       const char *version, const char *digest, bool *created)
{
    pw_definition d = { .namespace_ = S(namespace_),
                        .name = S(name),
                        .version = S(version),
                        .digest = S(digest),
                        .document = S("do: []"),
                        .level = 3,
                        .created_ms = 500 };
    return pw_store_definition_put(f->store, &d, created, &f->err);
}

static inline void have_definition(fixture *f)
{
    bool created = false;
    EXPECT_OK(put_definition(f, "shop", "order", "1.0.0", "digest-1", &created), f->err);
}

/* ---- commits */

static const pw_instance_new order_new = {
    .namespace_ = { "shop", 4 },
    .name = { "order", 5 },
    .version = { "1.0.0", 5 },
    .input_digest = { "in-1", 4 },
};

static inline pw_transition transition(pw_status status, int64_t wake_at, const char *state)
{
    return (pw_transition){ .changed = true,
                            .status = status,
                            .wake_at = wake_at,
                            .state_text = S(state),
                            .entries = S("[{\"did\":\"something\"}]") };
}

static inline pw_commit_item item_of(const char *instance, uint64_t token, const pw_transition *t,
                                     int64_t now_ms)
{
    return (pw_commit_item){ .instance = S(instance),
                             .token = token,
                             .create = token == 0 ? &order_new : NULL,
                             .transition = t,
                             .event = token == 0 ? PW_EVENT_START : PW_EVENT_DRIVE,
                             .now_ms = now_ms };
}

/* One item; gives its code. */
static inline pawl_code commit_one(fixture *f, pw_commit_item *item)
{
    EXPECT_OK(pw_store_commit(f->store, item, 1, &f->err), f->err);
    return item->code;
}

static inline void must_commit(fixture *f, pw_commit_item *item)
{
    if (commit_one(f, item) != PAWL_OK)
        fail_msg("refused: %s", item->error.message);
}

static inline void step(fixture *f, const char *instance, uint64_t token, const pw_transition *t,
                        int64_t now_ms)
{
    pw_commit_item item = item_of(instance, token, t, now_ms);
    must_commit(f, &item);
}

/* An instance at token 1, waiting, that nothing but a command can move. */
static inline void have_instance(fixture *f, const char *id, int64_t now_ms)
{
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{\"at\":1}");
    step(f, id, 0, &t, now_ms);
}

static inline pw_instance_row get(fixture *f, const char *id)
{
    pw_instance_row row;
    EXPECT_OK(pw_store_instance_get(f->store, S(id), true, &row, &f->arena, &f->err), f->err);
    return row;
}

static inline pw_store_counts counts(const fixture *f)
{
    pw_store_counts c;
    pw_store_count(f->store, &c);
    return c;
}
#endif
