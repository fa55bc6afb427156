/* conformance_identity.c - what both stores promise about tokens, commands under a key, and their
 * secret. */
#include "conformance.h"

/* ---- the secret */

STORE_TEST(a_store_has_a_secret_that_stays_its_own)
{
    char secret[65] = "";
    pw_str first = pw_store_secret(f->store);
    EXPECT_INT(first.len, 64);
    memcpy(secret, first.ptr, 64);
    EXPECT_INT(strspn(secret, "0123456789abcdef"), 64);
    restart(f);
    EXPECT_STR(pw_store_secret(f->store), secret);
    EXPECT_OK(pw_store_reopen(f->store, &f->err), f->err);
    EXPECT_STR(pw_store_secret(f->store), secret);
    EXPECT(strncmp(secret, pw_store_generation(f->store).ptr, 32) != 0);
    fixture other;
    fixture_open(&other, false);
    EXPECT(!pw_str_eq(pw_store_secret(other.store), S(secret)));
    fixture_done(&other);
}

/* ---- tokens */

static pw_principal principal(const char *id, const char *name, const char *digest,
                              int64_t created_ms)
{
    return (pw_principal){ .id = S(id),
                           .name = S(name),
                           .digest = S(digest),
                           .roles = S("[{\"role\":\"viewer\",\"namespace\":\"*\"}]"),
                           .created_by = S("root"),
                           .created_ms = created_ms,
                           .expires_ms = -1,
                           .revoked_ms = -1 };
}

static void have_principal(fixture *f, const pw_principal *p)
{
    EXPECT_OK(pw_store_principal_put(f->store, p, &f->err), f->err);
}

static pw_principal by_digest(fixture *f, const char *digest)
{
    pw_principal row;
    EXPECT_OK(pw_store_principal_get(f->store, S(digest), &row, &f->arena, &f->err), f->err);
    return row;
}

STORE_TEST(a_token_is_read_back_whole_by_its_digest)
{
    pw_principal p = principal("t1", "ann", "d1", 1000);
    p.groups = S("[\"sales\"]");
    p.note = S("laptop");
    p.expires_ms = 9000;
    have_principal(f, &p);
    p = principal("t2", "bob", "d2", 2000);
    have_principal(f, &p);
    restart(f);
    pw_principal row = by_digest(f, "d1");
    EXPECT_STR(row.id, "t1");
    EXPECT_STR(row.name, "ann");
    EXPECT_STR(row.digest, "d1");
    EXPECT_STR(row.roles, "[{\"role\":\"viewer\",\"namespace\":\"*\"}]");
    EXPECT_STR(row.groups, "[\"sales\"]");
    EXPECT_STR(row.note, "laptop");
    EXPECT_STR(row.created_by, "root");
    EXPECT_INT(row.created_ms, 1000);
    EXPECT_INT(row.expires_ms, 9000);
    EXPECT_INT(row.revoked_ms, -1);
    EXPECT_STR(row.revoked_by, "");
    row = by_digest(f, "d2");
    EXPECT_STR(row.groups, "");
    EXPECT_STR(row.note, "");
    EXPECT_INT(row.expires_ms, -1);
    EXPECT_INT(pw_store_principal_get(f->store, S("d3"), &row, &f->arena, &f->err), PAWL_NOT_FOUND);
    EXPECT_TEXT(f->err.message, "there is no such token");
}

STORE_TEST(the_id_and_the_digest_of_a_token_are_its_own)
{
    pw_principal p = principal("t1", "ann", "d1", 1000);
    have_principal(f, &p);
    EXPECT_INT(pw_store_principal_put(f->store, &p, &f->err), PAWL_CONFLICT);
    EXPECT_TEXT(f->err.message, "token 't1', or one with its digest, is there already");
    p.digest = S("d2");
    EXPECT_INT(pw_store_principal_put(f->store, &p, &f->err), PAWL_CONFLICT);
    p.id = S("t2");
    p.digest = S("d1");
    EXPECT_INT(pw_store_principal_put(f->store, &p, &f->err), PAWL_CONFLICT);
    p.digest = S("d2");
    have_principal(f, &p); /* the name may have several */
    char text[600];
    memset(text, 'x', sizeof text);
    const pw_principal bad[] = {
        { .id = S(""), .name = S("a"), .digest = S("d"), .roles = S("[]") },
        { .id = { text, 129 }, .name = S("a"), .digest = S("d"), .roles = S("[]") },
        { .id = S("t"), .name = S(""), .digest = S("d"), .roles = S("[]") },
        { .id = S("t"), .name = { text, 513 }, .digest = S("d"), .roles = S("[]") },
        { .id = S("t"), .name = S("a"), .digest = S(""), .roles = S("[]") },
        { .id = S("t"), .name = S("a"), .digest = { text, 129 }, .roles = S("[]") },
        { .id = S("t"), .name = S("a"), .digest = S("d"), .roles = S("") },
    };
    for (size_t i = 0; i < PW_LENGTH(bad); i++)
        EXPECT_INT(pw_store_principal_put(f->store, &bad[i], &f->err), PAWL_INVALID);
    EXPECT_TEXT(f->err.message,
                "a token must have an id (128 bytes), a name (512), a digest (128) and roles");
}

STORE_TEST(a_token_is_revoked_once)
{
    pw_principal p = principal("t1", "ann", "d1", 1000);
    have_principal(f, &p);
    EXPECT_OK(pw_store_principal_revoke(f->store, S("t1"), S("root"), 5000, &f->err), f->err);
    EXPECT_OK(pw_store_principal_revoke(f->store, S("t1"), S("eve"), 6000, &f->err), f->err);
    restart(f);
    pw_principal row = by_digest(f, "d1");
    EXPECT_INT(row.revoked_ms, 5000);
    EXPECT_STR(row.revoked_by, "root");
    EXPECT_INT(pw_store_principal_revoke(f->store, S("t2"), S("root"), 5000, &f->err),
               PAWL_NOT_FOUND);
    EXPECT_TEXT(f->err.message, "no token 't2'");
}

STORE_TEST(tokens_come_by_name_then_creation)
{
    const pw_principal all[] = { principal("t1", "bob", "d1", 1000),
                                 principal("t2", "ann", "d2", 3000),
                                 principal("t3", "ann", "d3", 2000),
                                 principal("t0", "ann", "d0", 3000) };
    for (size_t i = 0; i < PW_LENGTH(all); i++)
        have_principal(f, &all[i]);
    pw_principal *rows = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_principals(f->store, &rows, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 4);
    static const char *const order[] = { "t3", "t0", "t2", "t1" };
    for (size_t i = 0; i < 4; i++)
        EXPECT_STR(rows[i].id, order[i]);
    EXPECT_STR(rows[3].digest, "d1");
}

/* ---- commands of no instance */

/* 'n': new, 's': seen before, 'c': with another digest. */
static char ask(fixture *f, const char *actor, const char *key, const char *digest, int64_t now_ms)
{
    bool seen = false;
    pawl_code code =
        pw_store_request_put(f->store, S(actor), S(key), S(digest), now_ms, &seen, &f->err);
    if (code == PAWL_OK)
        return seen ? 's' : 'n';
    EXPECT_INT(code, PAWL_CONFLICT);
    EXPECT_INT(f->err.reason, PAWL_REASON_REQUEST_REUSED);
    return 'c';
}

STORE_TEST(a_request_is_known_again_by_its_actor_and_key)
{
    EXPECT_INT(ask(f, "ann", "k1", "d1", 1000), 'n');
    EXPECT_INT(ask(f, "ann", "k1", "d1", 2000), 's');
    EXPECT_INT(ask(f, "ann", "k1", "d2", 2000), 'c');
    EXPECT_TEXT(f->err.message, "the key 'k1' was used for another request: use a new one");
    EXPECT_INT(ask(f, "bob", "k1", "d2", 2000), 'n');
    EXPECT_INT(ask(f, "ann", "k2", "d2", 2000), 'n');
    EXPECT_INT(ask(f, "", "k1", "d3", 2000), 'n');
    restart(f);
    EXPECT_INT(ask(f, "ann", "k1", "d1", 3000), 's');
    char text[1025];
    bool seen = false;
    memset(text, 'x', sizeof text);
    EXPECT_INT(pw_store_request_put(f->store, S("a"), S(""), S("d"), 1, &seen, &f->err),
               PAWL_INVALID);
    EXPECT_INT(
        pw_store_request_put(f->store, S("a"), (pw_str){ text, 1025 }, S("d"), 1, &seen, &f->err),
        PAWL_INVALID);
    EXPECT_INT(
        pw_store_request_put(f->store, (pw_str){ text, 513 }, S("k"), S("d"), 1, &seen, &f->err),
        PAWL_INVALID);
    EXPECT_INT(pw_store_request_put(f->store, S("a"), S("k"), S(""), 1, &seen, &f->err),
               PAWL_INVALID);
    EXPECT_TEXT(f->err.message,
                "a request's actor must have at most 512 bytes, its key 1 to 1024, its "
                "digest 1 to 128");
}

STORE_TEST(requests_are_forgotten_oldest_first_and_nothing_is_written_if_there_is_none)
{
    uint32_t deleted = 9;
    (void)ask(f, "ann", "k3", "d", 3000);
    (void)ask(f, "ann", "k1", "d", 1000);
    (void)ask(f, "ann", "k2", "d", 2000);
    pw_store_counts before = counts(f);
    EXPECT_OK(pw_store_requests_expire(f->store, 1000, 9, &deleted, &f->err), f->err);
    EXPECT_INT(deleted, 0);
    EXPECT_INT(counts(f).commits, before.commits);
    EXPECT_INT(counts(f).statements, before.statements);
    EXPECT_OK(pw_store_requests_expire(f->store, 9000, 1, &deleted, &f->err), f->err);
    EXPECT_INT(deleted, 1);
    EXPECT_OK(pw_store_requests_expire(f->store, 3000, 9, &deleted, &f->err), f->err);
    EXPECT_INT(deleted, 1);
    restart(f);
    EXPECT_INT(ask(f, "ann", "k3", "d", 9000), 's');
    EXPECT_INT(ask(f, "ann", "k1", "d", 9000), 'n');
}

/* ---- answers of commands */

/* A step that a command under this key causes. */
static void answer(fixture *f, const char *id, uint64_t token, const char *key, int64_t now_ms)
{
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    pw_commit_item item = item_of(id, token, &t, now_ms);
    item.inbox = (pw_inbox_use){ .key = S(key),
                                 .kind = S("resume"),
                                 .payload = S("\"hash\""),
                                 .actor = S("ann"),
                                 .answer = S("{\"token\":2}") };
    must_commit(f, &item);
}

static bool remembers(fixture *f, const char *id, const char *key)
{
    pw_inbox_row row;
    return pw_store_inbox_get(f->store, S(id), S(key), &row, &f->arena, &f->err) == PAWL_OK;
}

STORE_TEST(the_answer_of_a_command_comes_back_with_its_request)
{
    have_definition(f);
    have_instance(f, "i1", 500);
    answer(f, "i1", 1, "request:k1", 1000);
    restart(f);
    pw_inbox_row row;
    EXPECT_OK(pw_store_inbox_get(f->store, S("i1"), S("request:k1"), &row, &f->arena, &f->err),
              f->err);
    EXPECT_STR(row.kind, "resume");
    EXPECT_STR(row.payload, "\"hash\"");
    EXPECT_STR(row.actor, "ann");
    EXPECT_STR(row.answer, "{\"token\":2}");
    EXPECT_INT(row.consumed_step, 2);
    EXPECT_INT(row.created_ms, 1000);
}

STORE_TEST(only_answers_of_requests_that_are_old_are_forgotten)
{
    have_definition(f);
    have_instance(f, "i1", 500);
    answer(f, "i1", 1, "request:new", 5000);
    answer(f, "i1", 2, "child:1", 1000);
    answer(f, "i1", 3, "Request:old", 1000);
    answer(f, "i1", 4, "request:old", 1000);
    answer(f, "i1", 5, "request:older", 900);
    answer(f, "i1", 6, "request", 900);
    pw_inbox_row pending = {
        .target = S("i1"), .key = S("request:waits"), .kind = S("resume"), .created_ms = 100
    };
    EXPECT_OK(pw_store_inbox_put(f->store, &pending, &f->err), f->err);
    uint32_t deleted = 9;
    pw_store_counts before = counts(f);
    EXPECT_OK(pw_store_answers_expire(f->store, 900, 9, &deleted, &f->err), f->err);
    EXPECT_INT(deleted, 0);
    EXPECT_INT(counts(f).commits, before.commits);
    EXPECT_OK(pw_store_answers_expire(f->store, 5000, 1, &deleted, &f->err), f->err);
    EXPECT_INT(deleted, 1);
    EXPECT(!remembers(f, "i1", "request:older"));
    EXPECT(remembers(f, "i1", "request:old"));
    EXPECT_OK(pw_store_answers_expire(f->store, 5000, 9, &deleted, &f->err), f->err);
    EXPECT_INT(deleted, 1);
    restart(f);
    static const char *const stay[] = { "request:new", "child:1", "Request:old", "request",
                                        "request:waits" };
    for (size_t i = 0; i < PW_LENGTH(stay); i++)
        EXPECT(remembers(f, "i1", stay[i]));
    EXPECT(!remembers(f, "i1", "request:old"));
}

/* ---- memory */

STORE_TEST(memory_that_runs_out_while_a_token_or_request_is_stored_leaves_nothing)
{
    const pw_principal p = principal("t1", "ann", "d1", 1000);
    bool done = false;
    for (uint64_t n = 1; n < 100 && !done; n++) {
        pw_alloc_fail_after(n);
        pawl_code code = pw_store_principal_put(f->store, &p, &f->err);
        pw_alloc_fail_after(0);
        done = code == PAWL_OK;
        EXPECT(done || code == PAWL_NO_MEMORY);
    }
    EXPECT(done);
    done = false;
    for (uint64_t n = 1; n < 100 && !done; n++) {
        bool seen = true;
        pw_alloc_fail_after(n);
        pawl_code code = pw_store_request_put(f->store, S("a"), S("k"), S("d"), 1, &seen, &f->err);
        pw_alloc_fail_after(0);
        done = code == PAWL_OK;
        EXPECT(done ? !seen : code == PAWL_NO_MEMORY);
    }
    EXPECT(done);
    done = false;
    for (uint64_t n = 1; n < 100 && !done; n++) {
        pw_arena arena;
        pw_arena_init(&arena, 0);
        pw_principal *rows = NULL;
        size_t count = 0;
        pw_alloc_fail_after(n);
        pawl_code code = pw_store_principals(f->store, &rows, &count, &arena, &f->err);
        pw_alloc_fail_after(0);
        done = code == PAWL_OK;
        EXPECT(done ? count == 1 : code == PAWL_NO_MEMORY);
        pw_arena_done(&arena);
    }
    EXPECT(done);
}

TEST_MAIN()
