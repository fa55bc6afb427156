/* token_test.c - identities: told once, looked up by their hash, refused from the moment of their end. */
#include "fixture.h"

static pawl_token_options named(const char *name)
{
    return (pawl_token_options){ .struct_size = sizeof(pawl_token_options),
                                 .name = name,
                                 .roles = "[{\"role\":\"operator\",\"namespace\":\"test\"}]" };
}

static char *make(fixture *f, const pawl_token_options *options, char id[64])
{
    char *token = NULL, *out = NULL;
    EXPECT_OK(pawl_token_create(f->p, options, "root", &token, &out, &f->err), f->err);
    (void)snprintf(id, 64, "%s", ask(out, ".id"));
    memmove(id, id + 1, 26);
    id[26] = '\0';
    pawl_free(out);
    return token;
}

static void expect_nobody(fixture *f, const char *token)
{
    char *out = NULL;
    EXPECT_INT(pawl_authenticate(f->p, token, &out, &f->err), PAWL_DENIED);
    EXPECT_INT(f->err.reason, PAWL_REASON_BAD_TOKEN);
    EXPECT(out == NULL);
}

TEST(token, is_told_once_and_names_who_has_it)
{
    fixture f;
    static const char *const groups[] = { "boss", "staff" };
    fixture_init(&f, NULL);
    fixture_clock(&f, 1000000);
    fixture_open(&f);
    pawl_token_options options = named("ann");
    options.groups = groups;
    options.group_count = 2;
    options.note = "her laptop";
    char *token = NULL, *out = NULL, *who = NULL, *all = NULL;
    EXPECT_OK(pawl_token_create(f.p, &options, "root", &token, &out, &f.err), f.err);
    EXPECT_INT(strlen(token), 48);
    EXPECT(strncmp(token, "pawl_", 5) == 0);
    EXPECT_INT(strspn(token + 5, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
    EXPECT_OK(pawl_authenticate(f.p, token, &who, &f.err), f.err);
    EXPECT_TEXT(who, out);
    EXPECT_ASK(who, "del(.id)",
               "{\"name\":\"ann\",\"roles\":[{\"role\":\"operator\",\"namespace\":\"test\"}],"
               "\"groups\":[\"boss\",\"staff\"],\"note\":\"her laptop\",\"createdAt\":\"1970-01-01T00:16:40.000Z\","
               "\"createdBy\":\"root\"}");
    EXPECT_OK(pawl_tokens(f.p, &all, &f.err), f.err);
    EXPECT(strstr(all, token) == NULL); /* nor is it in the file */
    fixture_close(&f);
    size_t length = 0;
    char *file = pw_test_read(f.store, &length);
    EXPECT(memmem(file, length, token + 5, 43) == NULL);
    free(file);
    fixture_open(&f); /* and it is good in the next process, too */
    char *again = NULL;
    EXPECT_OK(pawl_authenticate(f.p, token, &again, &f.err), f.err);
    EXPECT_TEXT(again, who);
    pawl_free(again);
    pawl_free(all);
    pawl_free(who);
    pawl_free(out);
    pawl_free(token);
    fixture_done(&f);
}

TEST(token, one_that_is_not_ours_revoked_or_expired_is_nobodys)
{
    fixture f;
    char id[64], other_id[64], *who = NULL;
    fixture_init(&f, "memory:");
    fixture_clock(&f, 1000000);
    fixture_open(&f);
    pawl_token_options options = named("ann"), short_lived = named("bob");
    short_lived.expires_ms = 1001000;
    char *token = make(&f, &options, id), *brief = make(&f, &short_lived, other_id);
    expect_nobody(&f, NULL);
    expect_nobody(&f, "");
    expect_nobody(&f, "pawl_");
    expect_nobody(&f, "pawl_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    for (int i = 0; i < 2; i++) { /* the second from memory */
        EXPECT_OK(pawl_authenticate(f.p, token, &who, &f.err), f.err);
        pawl_free(who);
        EXPECT_OK(pawl_authenticate(f.p, brief, &who, &f.err), f.err);
        pawl_free(who);
    }
    fixture_clock(&f, 1001000);
    expect_nobody(&f, brief);
    EXPECT_OK(pawl_token_revoke(f.p, id, "root", &f.err), f.err);
    expect_nobody(&f, token);
    EXPECT_OK(pawl_token_revoke(f.p, id, "somebody", &f.err), f.err); /* as it was */
    EXPECT_INT(pawl_token_revoke(f.p, "00000000000000000000000000", "root", &f.err), PAWL_NOT_FOUND);
    char *all = NULL;
    EXPECT_OK(pawl_tokens(f.p, &all, &f.err), f.err);
    EXPECT_ASK(all, "[.tokens[] | [.name, .revokedBy, .revokedAt, .expiresAt]]",
               "[[\"ann\",\"root\",\"1970-01-01T00:16:41.000Z\",null],[\"bob\",null,null,\"1970-01-01T00:16:41.000Z\"]]");
    pawl_free(all);
    pawl_free(brief);
    pawl_free(token);
    fixture_done(&f);
}

TEST(token, bad_options_are_refused_and_make_none)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    static char long_name[300];
    memset(long_name, 'n', sizeof long_name - 1);
    static const char *const unnamed[] = { "" };
    const size_t size = sizeof(pawl_token_options);
    const struct {
        pawl_token_options options;
        const char *says;
    } cases[] = {
        { { .struct_size = 0 }, "struct_size is 0" },
        { { .struct_size = size, .roles = "[]" }, "name is missing" },
        { { .struct_size = size, .name = long_name, .roles = "[]" }, "at most 256" },
        { { .struct_size = size, .name = "ann\nbob", .roles = "[]" }, "name holds a control character" },
        { { .struct_size = size, .name = "ann" }, "roles are missing" },
        { { .struct_size = size, .name = "ann", .roles = "[]" }, "array of 1 to 100" },
        { { .struct_size = size, .name = "ann", .roles = "{}" }, "array of 1 to 100" },
        { { .struct_size = size, .name = "ann", .roles = "[" }, "roles: JSON" },
        { { .struct_size = size, .name = "ann", .roles = "[{\"role\":\"king\",\"namespace\":\"*\"}]" }, "role 1 is viewer" },
        { { .struct_size = size, .name = "ann", .roles = "[{\"role\":\"admin\"}]" }, "role 1 needs a namespace" },
        { { .struct_size = size, .name = "ann", .roles = "[{\"role\":\"admin\",\"namespace\":\"*\",\"x\":1}]" },
          "and nothing else" },
        { { .struct_size = size, .name = "ann", .roles = "[{\"role\":\"admin\",\"namespace\":\"*\"}]", .expires_ms = 1 },
          "expired already" },
        { { .struct_size = size,
            .name = "ann",
            .roles = "[{\"role\":\"admin\",\"namespace\":\"*\"}]",
            .groups = unnamed,
            .group_count = 1 },
          "a group is missing" },
    };
    char *token = NULL, *all = NULL;
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        EXPECT_INT(pawl_token_create(f.p, &cases[i].options, NULL, &token, NULL, &f.err), PAWL_INVALID);
        EXPECT(token == NULL);
        EXPECT_CONTAINS(f.err.message, cases[i].says);
    }
    const pawl_token_options good = named("ann");
    EXPECT_INT(pawl_token_create(f.p, &good, NULL, NULL, NULL, &f.err), PAWL_INVALID);
    EXPECT_OK(pawl_tokens(f.p, &all, &f.err), f.err);
    EXPECT_TEXT(all, "{\"tokens\":[]}");
    pawl_free(all);
    fixture_done(&f);
}

/* A clock that somebody else uses to revoke the token, between the moment when it is read and the moment when it is
 * remembered. */
typedef struct meddler {
    fixture *f;
    char id[64];
} meddler;

static _Thread_local bool armed; /* other threads ask for the time, too */

static uint64_t meddle(void *clock)
{
    meddler *m = clock;
    if (armed) {
        armed = false;
        pawl_error err;
        EXPECT_OK(pawl_token_revoke(m->f->p, m->id, "root", &err), err);
    }
    return 1000000;
}

TEST(token, one_that_is_revoked_while_it_is_looked_up_is_not_remembered)
{
    fixture f;
    meddler m = { .f = &f };
    char *who = NULL;
    fixture_init(&f, "memory:");
    f.options.now_ms = meddle;
    f.options.clock = &m;
    fixture_open(&f);
    pawl_token_options options = named("ann");
    options.expires_ms = 2000000;
    char *token = make(&f, &options, m.id);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    armed = true;
    EXPECT_OK(pawl_authenticate(f.p, token, &who, &f.err), f.err); /* it was good when it was read */
    EXPECT(!armed);
    expect_nobody(&f, token);
    pawl_free(who);
    pawl_free(token);
    fixture_done(&f);
}

TEST(token, without_memory_it_is_an_error_and_not_a_stranger)
{
    fixture f;
    char id[64];
    fixture_init(&f, "memory:");
    fixture_open(&f);
    const pawl_token_options options = named("ann");
    char *token = make(&f, &options, id);
    unsigned refused = 0;
    for (unsigned nth = 1; nth < 40; nth++) {
        char *who = NULL, *fresh = NULL;
        pw_alloc_fail_after(nth);
        pawl_code code = pawl_authenticate(f.p, token, &who, &f.err);
        pw_alloc_fail_after(0);
        EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY);
        refused += code != PAWL_OK;
        pawl_free(who);
        pw_alloc_fail_after(nth);
        code = pawl_token_create(f.p, &options, NULL, &fresh, NULL, &f.err);
        pw_alloc_fail_after(0);
        EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY);
        EXPECT((fresh != NULL) == (code == PAWL_OK));
        pawl_free(fresh);
    }
    EXPECT(refused > 0);
    pawl_free(token);
    fixture_done(&f);
}

TEST_MAIN()
