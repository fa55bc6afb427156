/* match_test.c - how a message finds the listeners that expect it: matchers made, read and tried. */
#include "fixture.h"
#include "core/match.h"

typedef struct bench {
    pw_arena arena;
    pw_expr_machine *machine;
} bench;

static void bench_open(bench *b)
{
    pw_arena_init(&b->arena, 0);
    b->machine = pw_expr_machine_new(NULL);
    EXPECT(b->machine != NULL);
}

static void bench_close(bench *b)
{
    pw_expr_machine_free(b->machine);
    pw_arena_done(&b->arena);
}

static pw_value json(bench *b, const char *text)
{
    pw_value v;
    pawl_error err;
    EXPECT_OK(pw_json_parse(&v, pw_str_of(text), NULL, &b->arena, &err), err);
    return v;
}

/* Of the message under a matcher of this type and these parts; NULL: it does not fit. */
static const char *hash_under(bench *b, const char *type, const char *parts, const char *message)
{
    const pw_matcher matcher = { .digest = PW_LIT("d"),
                                 .type = pw_str_of(type),
                                 .parts = pw_str_of(parts) };
    pw_match *match;
    pawl_error err;
    EXPECT_OK(pw_match_new(&match, &matcher, &err), err);
    char *hash = pw_arena_alloc(&b->arena, PW_DIGEST_HEX_SIZE);
    pawl_code code =
        pw_match_hash(hash, match, json(b, message), T0, b->machine, &b->arena, &err);
    pw_match_free(match);
    if (code == PAWL_NOT_FOUND)
        return NULL;
    EXPECT_INT(code, PAWL_OK);
    EXPECT_INT(strlen(hash), 64);
    return hash;
}

static void expect_same(bench *b, const char *parts, const char *one, const char *other, bool same)
{
    const char *a = hash_under(b, "", parts, one), *c = hash_under(b, "", parts, other);
    if (!a || !c)
        fail_msg("%s: %s or %s does not fit", parts, one, other);
    else if ((strcmp(a, c) == 0) != same)
        fail_msg("%s: %s and %s", parts, one, other);
}

TEST(match, a_type_that_is_another_does_not_fit_and_none_is_any)
{
    bench b;
    bench_open(&b);
    EXPECT(hash_under(&b, "a", "[]", "{\"type\":\"a\"}") != NULL);
    EXPECT(hash_under(&b, "a", "[]", "{\"type\":\"b\"}") == NULL);
    EXPECT(hash_under(&b, "a", "[]", "{}") == NULL);
    EXPECT(hash_under(&b, "a", "[]", "{\"type\":1}") == NULL);
    EXPECT(hash_under(&b, "", "[]", "{\"type\":\"b\"}") != NULL);
    EXPECT(hash_under(&b, "", "[]", "{}") != NULL);
    bench_close(&b);
}

/* As `printf '%s'` of the parts with their lengths, little-endian in 8 bytes each, gives with
 * sha256sum: "d", and the canonical JSON of what was found. */
TEST(match, a_hash_is_that_of_the_digest_and_of_the_canonical_values)
{
    bench b;
    bench_open(&b);
    const char *hash = hash_under(&b, "", "[{\"a\":\"subject\"},{\"x\":\".data.n\"}]",
                                  "{\"subject\":\"s\",\"data\":{\"n\":1.0}}");
    EXPECT_TEXT(hash, "bdc098e9f2c8bddabd33b9010b2467c90d84a88d6bce68358dcea8f3e99f5fa2");
    EXPECT_TEXT(hash_under(&b, "", "[]", "{}"), "ae2e52c17bb1e42c9f1cd1f5f5e49608129304b9fd827a74dde1f7474df26eef");
    bench_close(&b);
}

TEST(match, equal_values_have_one_hash_however_they_are_written)
{
    static const struct {
        const char *parts, *one, *other;
        bool same;
    } rows[] = {
        { "[{\"a\":\"n\"}]", "{\"n\":1}", "{\"n\":1.0}", true },
        { "[{\"a\":\"n\"}]", "{\"n\":1}", "{\"n\":1e0}", true },
        { "[{\"a\":\"n\"}]", "{\"n\":1}", "{\"n\":\"1\"}", false },
        { "[{\"a\":\"n\"}]", "{\"n\":9007199254740993}", "{\"n\":9007199254740992}", false },
        { "[{\"a\":\"data\"}]", "{\"data\":{\"a\":1,\"b\":2}}", "{\"data\":{\"b\":2,\"a\":1}}",
          true },
        { "[{\"a\":\"data\"}]", "{\"data\":[1,2]}", "{\"data\":[2,1]}", false },
        { "[{\"a\":\"data\"}]", "{\"data\":null}", "{}", true }, /* absent is null */
        { "[{\"a\":\"data\"}]", "{\"data\":false}", "{}", false },
        { "[{\"x\":\".data.id\"}]", "{\"data\":{\"id\":7}}", "{\"data\":{\"id\":7,\"x\":1}}", true },
        { "[{\"x\":\".data.id\"}]", "{\"data\":{\"id\":7}}", "{\"data\":{\"id\":8}}", false },
        { "[{\"t\":\". > 1\",\"a\":\"n\"}]", "{\"n\":2}", "{\"n\":3}", true },
        { "[{\"r\":\"^a.*$\",\"a\":\"s\"}]", "{\"s\":\"ab\"}", "{\"s\":\"ac\"}", true },
        { "[{\"x\":\"now\"}]", "{\"n\":1}", "{\"n\":2}", true },
    };
    bench b;
    bench_open(&b);
    for (size_t i = 0; i < PW_LENGTH(rows); i++)
        expect_same(&b, rows[i].parts, rows[i].one, rows[i].other, rows[i].same);
    bench_close(&b);
}

TEST(match, a_test_that_says_no_or_fails_does_not_fit)
{
    static const struct {
        const char *parts, *message;
        bool fits;
    } rows[] = {
        { "[{\"t\":\". > 38\",\"a\":\"n\"}]", "{\"n\":39}", true },
        { "[{\"t\":\". > 38\",\"a\":\"n\"}]", "{\"n\":38}", false },
        { "[{\"t\":\".x > 38\",\"a\":\"data\"}]", "{\"data\":\"text\"}", false }, /* it fails */
        { "[{\"t\":\"error(1)\",\"a\":\"n\"}]", "{\"n\":39}", false },
        { "[{\"t\":\"[range(1000000000)]\",\"a\":\"n\"}]", "{\"n\":39}", false }, /* out of fuel */
        { "[{\"t\":\".\",\"a\":\"s\"}]", "{\"s\":\"x\"}", true }, /* the attribute's own value */
        { "[{\"t\":\"ascii_upcase\",\"a\":\"s\"}]", "{\"s\":\"X\"}", true },
        { "[{\"t\":\"ascii_upcase\",\"a\":\"s\"}]", "{\"s\":\"x\"}", false },
        { "[{\"t\":\".\",\"a\":\"s\"}]", "{\"s\":false}", false }, /* no is no */
        { "[{\"t\":\".\",\"a\":\"s\"}]", "{}", false },
        { "[{\"t\":\"empty\",\"a\":\"s\"}]", "{}", false },
        { "[{\"r\":\"^a.*$\",\"a\":\"s\"}]", "{\"s\":\"ba\"}", false },
        { "[{\"r\":\"^a.*$\",\"a\":\"s\"}]", "{\"s\":1}", false },
        { "[{\"r\":\"^a.*$\",\"a\":\"s\"}]", "{}", false },
        { "[{\"x\":\".data.id\"}]", "{\"data\":{}}", false }, /* nothing correlates with nothing */
        { "[{\"x\":\".data.id\"}]", "{\"data\":7}", false },
        { "[{\"x\":\".data.id\"}]", "{\"data\":{\"id\":false}}", true },
    };
    bench b;
    bench_open(&b);
    for (size_t i = 0; i < PW_LENGTH(rows); i++)
        if ((hash_under(&b, "", rows[i].parts, rows[i].message) != NULL) != rows[i].fits)
            fail_msg("%s on %s: %d", rows[i].parts, rows[i].message, rows[i].fits);
    bench_close(&b);
}

TEST(match, a_row_that_is_none_is_corrupt)
{
    static const char *const rows[] = {
        "",
        "{}",
        "[1]",
        "[{}]",
        "[{\"a\":1}]",
        "[{\"x\":1}]",
        "[{\"x\":\".a\",\"a\":\"b\"}]",
        "[{\"x\":\".a |\"}]",
        "[{\"x\":\"$input\"}]",
        "[{\"t\":\".a\"}]",
        "[{\"t\":\".a\",\"a\":1}]",
        "[{\"t\":\"(\",\"a\":\"b\"}]",
        "[{\"r\":\".a\"}]",
        "[{\"r\":1,\"a\":\"b\"}]",
        "[{\"q\":\"1\",\"a\":\"b\"}]",
        "[{\"t\":\".\",\"r\":\"^a$\",\"a\":\"b\"}]",
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        const pw_matcher matcher = { .digest = PW_LIT("d"), .parts = pw_str_of(rows[i]) };
        pw_match *match;
        pawl_error err;
        pawl_code code = pw_match_new(&match, &matcher, &err);
        if (code != PAWL_CORRUPT)
            fail_msg("%s: %s", rows[i], pawl_code_name(code));
        EXPECT_CONTAINS(err.message, "stored matcher: ");
    }
    pw_match_free(NULL);
}

/* ------------------------------------------------------------------ from filters */

/* The only filter of the only listen: its matcher, and the hash with these values expected. */
static void made(fixture *f, const char *tasks, const char *wanted, const char *correlated,
                 pw_matcher *matcher, pw_str *hash)
{
    fixture_open(f, tasks);
    const pw_filter *filter = f->program->body.tasks[0]->as.listen.to.filters;
    pw_value values[2], w[4] = { { 0 } }, c[4] = { { 0 } };
    pawl_error err;
    EXPECT_OK(pw_json_parse(&values[0], pw_str_of(wanted), NULL, &f->arena, &err), err);
    EXPECT_OK(pw_json_parse(&values[1], pw_str_of(correlated), NULL, &f->arena, &err), err);
    for (uint32_t i = 0; i < 4; i++) { /* null: not known */
        w[i] = pw_is(pw_item(values[0], i), PW_NULL) ? (pw_value){ 0 } : pw_item(values[0], i);
        c[i] = pw_is(pw_item(values[1], i), PW_NULL) ? (pw_value){ 0 } : pw_item(values[1], i);
    }
    pw_match_of_filter(matcher, hash, filter, w, c, &f->arena);
}

TEST(match, a_filter_becomes_the_parts_that_do_not_depend_on_the_instance)
{
    fixture f;
    pw_matcher matcher;
    pw_str hash;
    made(&f,
         "  - a:\n"
         "      listen:\n"
         "        to:\n"
         "          one:\n"
         "            with:\n"
         "              type: t\n"
         "              source: http://s\n"
         "              subject: ^order-[0-9]+$\n"
         "              data: ${ .n > 1 }\n"
         "              kind: ${ . == $input.kind }\n"
         "            correlate:\n"
         "              order: { from: .data.order, expect: '${ $input.order }' }\n"
         "              first: { from: .data.first }\n"
         "              mine: { from: '${ [.data.x, $input.y] }', expect: z }\n",
         "[\"http://s\"]", "[7,null,\"z\"]", &matcher, &hash);
    EXPECT_STR(matcher.type, "t");
    EXPECT_STR(matcher.parts, "[{\"a\":\"source\"},{\"a\":\"subject\",\"r\":\"^order-[0-9]+$\"},"
                              "{\"a\":\"data\",\"t\":\" .n > 1 \"},{\"x\":\".data.order\"}]");
    EXPECT_INT(matcher.digest.len, 64);
    EXPECT_INT(hash.len, 64);

    /* and a message that fits has this hash */
    pw_match *match;
    pawl_error err;
    EXPECT_OK(pw_match_new(&match, &matcher, &err), err);
    pw_value message;
    EXPECT_OK(pw_json_parse(&message,
                            PW_LIT("{\"type\":\"t\",\"source\":\"http://s\",\"subject\":"
                                   "\"order-12\",\"data\":{\"n\":2,\"order\":7.0}}"),
                            NULL, &f.arena, &err),
              err);
    char found[PW_DIGEST_HEX_SIZE];
    EXPECT_OK(pw_match_hash(found, match, message, T0, f.machine, &f.arena, &err), err);
    EXPECT_TEXT(found, fixture_text(&f, hash));
    pw_match_free(match);
    fixture_close(&f);
}

TEST(match, listeners_that_expect_other_values_share_a_matcher_and_no_hash)
{
    static const char tasks[] = "  - a: { listen: { to: { one: { with: { type: t }, correlate: { k: "
                                "{ from: .data.k, expect: '${ $input.k }' } } } } } }\n";
    fixture f[3];
    pw_matcher matcher[3];
    pw_str hash[3];
    made(&f[0], tasks, "[]", "[1]", &matcher[0], &hash[0]);
    made(&f[1], tasks, "[]", "[2]", &matcher[1], &hash[1]);
    made(&f[2], tasks, "[]", "[1.0]", &matcher[2], &hash[2]);
    EXPECT(pw_str_eq(matcher[0].digest, matcher[1].digest));
    EXPECT(!pw_str_eq(hash[0], hash[1]));
    EXPECT(pw_str_eq(hash[0], hash[2]));
    for (size_t i = 0; i < 3; i++)
        fixture_close(&f[i]);
}

TEST(match, type_and_parts_make_the_digest)
{
    static const char *const tasks[] = {
        "  - a: { listen: { to: { one: { with: { type: t } } } } }\n",
        "  - a: { listen: { to: { one: { with: { type: u } } } } }\n",
        "  - a: { listen: { to: { one: { with: { type: t, data: '${ .a }' } } } } }\n",
        "  - a: { listen: { to: { one: { with: { type: t, data: '${ .b }' } } } } }\n",
        "  - a: { listen: { to: { one: { with: { data: '${ .b }' } } } } }\n",
    };
    fixture f[PW_LENGTH(tasks)];
    pw_matcher matcher[PW_LENGTH(tasks)];
    pw_str hash[PW_LENGTH(tasks)];
    for (size_t i = 0; i < PW_LENGTH(tasks); i++)
        made(&f[i], tasks[i], "[]", "[]", &matcher[i], &hash[i]);
    for (size_t i = 0; i < PW_LENGTH(tasks); i++)
        for (size_t j = 0; j < i; j++) {
            EXPECT(!pw_str_eq(matcher[i].digest, matcher[j].digest));
            EXPECT(!pw_str_eq(hash[i], hash[j]));
        }
    for (size_t i = 0; i < PW_LENGTH(tasks); i++)
        fixture_close(&f[i]);
}

TEST_MAIN()
