/* value.c - building, reading, changing, comparing, copying and measuring values. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "test.h"
#include "base/json.h"

static pw_arena arena;

static void begin(void)
{
    pw_arena_done(&arena);
    pw_arena_init(&arena, 0);
}

static pw_value read_json(const char *text)
{
    pawl_error err = { 0 };
    pw_value v = { .type = PW_NONE };
    EXPECT_OK(pw_json_parse(&v, pw_str_of(text), NULL, &arena, &err), err);
    return v;
}

static const char *json(pw_value v)
{
    pw_str text = pw_json_text(&arena, v, PW_JSON_COMPACT);
    assert_non_null(text.ptr);
    return text.ptr;
}

/* [[[...[inner]...]]] */
static pw_value nested(pw_value inner, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        inner = pw_array(&arena, &inner, 1);
    return inner;
}

/* {"k0":0,"k1":1,...}, keys in an order that is not sorted */
static pw_value numbered(size_t count)
{
    pw_object_builder b = { .arena = &arena };
    for (size_t i = 0; i < count; i++) {
        size_t at = (i * 7919 + 3) % count;
        pw_object_add(&b, pw_arena_printf(&arena, "k%zu", at), pw_int((int64_t)at));
    }
    return pw_object_end(&b);
}

/* ---- making and reading */

TEST(value, a_built_document_is_written_in_order)
{
    begin();
    pw_array_builder list = { .arena = &arena };
    for (int i = 0; i < 20; i++)
        pw_array_add(&list, pw_int(i));
    pw_value v = pw_object_of(&arena,
                              (pw_member[]){ { PW_LIT("z"), pw_null() },
                                             { PW_LIT("a"), pw_string(&arena, PW_LIT("x\"y")) },
                                             { PW_LIT("none"), { .type = PW_NONE } },
                                             { PW_LIT("list"), pw_array_end(&list) },
                                             { PW_LIT("t"), pw_bool(true) } },
                              5);
    EXPECT_TEXT(json(v),
                "{\"z\":null,\"a\":\"x\\\"y\",\"list\":[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,"
                "15,16,17,18,19],\"t\":true}");
}

TEST(value, what_is_not_there_reads_as_none)
{
    begin();
    pw_value v = read_json("{\"a\":[1,\"two\"],\"b\":\"text\"}");
    EXPECT_INT(pw_get_lit(v, "c").type, PW_NONE);
    EXPECT_INT(pw_get_lit(pw_null(), "c").type, PW_NONE);
    EXPECT_INT(pw_item(pw_get_lit(v, "a"), 2).type, PW_NONE);
    EXPECT_INT(pw_item(v, 0).type, PW_NONE);
    EXPECT_STR(pw_get_text(v, "b"), "text");
    EXPECT_STR(pw_get_text(v, "a"), "");
    EXPECT_STR(pw_text(pw_item(pw_get_lit(v, "a"), 1)), "two");
    EXPECT(pw_members(pw_null()) == NULL);
    EXPECT_TEXT(pw_type_name(v), "object");
    EXPECT_TEXT(pw_type_name(pw_bool(false)), "boolean");
}

TEST(value, objects_of_every_size_find_their_keys)
{
    begin();
    for (size_t count = 0; count < 200; count++) {
        pw_value v = numbered(count);
        EXPECT_INT(v.count, count);
        for (size_t i = 0; i < count; i++) {
            char key[16];
            (void)snprintf(key, sizeof key, "k%zu", i);
            int64_t n = -1;
            EXPECT(pw_integer(pw_get_lit(v, key), &n));
            EXPECT_INT(n, i);
        }
        EXPECT_INT(pw_get_lit(v, "k").type, PW_NONE);
        EXPECT_INT(pw_get_lit(v, "k9999").type, PW_NONE);
    }
}

TEST(value, a_later_equal_key_wins_at_the_place_of_the_first)
{
    begin();
    pw_object_builder b = { .arena = &arena };
    pw_object_add(&b, PW_LIT("x"), pw_int(1));
    pw_object_add(&b, PW_LIT("y"), pw_int(2));
    pw_object_add(&b, PW_LIT("x"), pw_int(3));
    pw_object_add(&b, PW_LIT("y"), (pw_value){ .type = PW_NONE });
    EXPECT_TEXT(json(pw_object_end(&b)), "{\"x\":3,\"y\":2}");
    for (int i = 0; i < 60; i++) /* each of 20 keys three times */
        pw_object_add(&b, pw_arena_printf(&arena, "%02d", 19 - i % 20), pw_int(i));
    pw_value v = pw_object_end(&b);
    EXPECT_INT(v.count, 20);
    EXPECT_STR(pw_members(v)[0].key, "19");
    EXPECT_INT(pw_members(v)[0].value.as.integer, 40);
    EXPECT_STR(pw_members(v)[19].key, "00");
    EXPECT_INT(pw_get_lit(v, "00").as.integer, 59);
    for (int i = 0; i < 30; i++) /* many, of which few remain */
        pw_object_add(&b, i % 2 ? PW_LIT("odd") : PW_LIT("even"), pw_int(i));
    EXPECT_TEXT(json(pw_object_end(&b)), "{\"even\":28,\"odd\":29}");
}

TEST(value, members_are_sorted_by_code_point)
{
    begin();
    pw_value small = read_json("{\"b\":1,\"\xC3\xA9\":2,\"a\":3,\"ab\":4,\"\":5}");
    const pw_member **sorted = pw_members_sorted(small, &arena);
    EXPECT_STR(sorted[0]->key, "");
    EXPECT_STR(sorted[1]->key, "a");
    EXPECT_STR(sorted[2]->key, "ab");
    EXPECT_STR(sorted[3]->key, "b");
    EXPECT_INT(sorted[4]->value.as.integer, 2);
    sorted = pw_members_sorted(numbered(300), &arena);
    for (size_t i = 1; i < 300; i++)
        EXPECT(pw_str_cmp(sorted[i - 1]->key, sorted[i]->key) < 0);
}

/* ---- changing */

TEST(value, with_and_without_leave_the_old_value_alone)
{
    begin();
    pw_value v = read_json("{\"a\":1,\"b\":2}");
    char key[2] = "c";
    pw_value added = pw_with(&arena, v, pw_str_of(key), pw_int(3));
    key[0] = 'X'; /* the key was copied */
    EXPECT_TEXT(json(added), "{\"a\":1,\"b\":2,\"c\":3}");
    EXPECT_TEXT(json(pw_with(&arena, v, PW_LIT("a"), pw_int(9))), "{\"a\":9,\"b\":2}");
    EXPECT_TEXT(json(pw_without(&arena, v, PW_LIT("a"))), "{\"b\":2}");
    EXPECT_TEXT(json(pw_without(&arena, v, PW_LIT("x"))), "{\"a\":1,\"b\":2}");
    EXPECT_TEXT(json(pw_with(&arena, pw_null(), PW_LIT("a"), pw_int(1))), "{\"a\":1}");
    EXPECT_TEXT(json(pw_with(&arena, v, PW_LIT("a"), (pw_value){ .type = PW_NONE })),
                "{\"a\":1,\"b\":2}");
    EXPECT_TEXT(json(v), "{\"a\":1,\"b\":2}");
}

TEST(value, with_and_without_keep_the_index_of_large_objects)
{
    begin();
    pw_value v = pw_object_of(&arena, NULL, 0);
    for (int i = 0; i < 40; i++)
        v = pw_with(&arena, v, pw_arena_printf(&arena, "k%d", (i * 13) % 40), pw_int(i));
    for (int i = 0; i < 40; i++)
        v = pw_with(&arena, v, pw_arena_printf(&arena, "k%d", i), pw_int(100 + i));
    for (int removed = 0; removed < 40; removed++) {
        for (int i = removed; i < 40; i++) {
            char key[16];
            (void)snprintf(key, sizeof key, "k%d", i);
            EXPECT_INT(pw_get_lit(v, key).as.integer, 100 + i);
        }
        EXPECT_INT(v.count, 40 - removed);
        v = pw_without(&arena, v, pw_arena_printf(&arena, "k%d", removed));
    }
    EXPECT_TEXT(json(v), "{}");
}

/* ---- growing */

static pw_value grown(uint64_t owner, pw_value v, const char *key, pw_value value)
{
    size_t touched = 0;
    return pw_with_growing(&arena, owner, v, pw_arena_str(&arena, pw_str_of(key)), value, &touched);
}

/* {"k<from>":from,...}, one after the other, onto v */
static pw_value grown_from(uint64_t owner, pw_value v, int from, int to)
{
    for (int i = from; i < to; i++)
        v = grown(owner, v, pw_arena_printf(&arena, "k%d", i).ptr, pw_int(i));
    return v;
}

TEST(growing, shares_the_members_and_changes_no_older_version)
{
    begin();
    uint64_t owner = pw_owner_new();
    pw_value base = grown_from(owner, pw_null(), 0, 10);
    pw_value a = grown(owner, base, "a", pw_int(1)), b = grown(owner, base, "b", pw_int(2));
    pw_value aa = grown(owner, a, "b", pw_int(3)), a2 = grown(owner, a, "k0", pw_int(-1));
    EXPECT(pw_members(a) == pw_members(base));
    EXPECT(pw_members(aa) == pw_members(base));
    EXPECT(pw_members(b) != pw_members(base)); /* a was first */
    EXPECT(pw_members(a2) != pw_members(base));
#define TEN "\"k1\":1,\"k2\":2,\"k3\":3,\"k4\":4,\"k5\":5,\"k6\":6,\"k7\":7,\"k8\":8,\"k9\":9"
    EXPECT_TEXT(json(base), "{\"k0\":0," TEN "}");
    EXPECT_TEXT(json(a), "{\"k0\":0," TEN ",\"a\":1}");
    EXPECT_TEXT(json(b), "{\"k0\":0," TEN ",\"b\":2}");
    EXPECT_TEXT(json(aa), "{\"k0\":0," TEN ",\"a\":1,\"b\":3}");
    EXPECT_TEXT(json(a2), "{\"k0\":-1," TEN ",\"a\":1}");
    EXPECT_INT(pw_get_lit(base, "a").type, PW_NONE);
    EXPECT_INT(pw_get_lit(a, "b").type, PW_NONE);
    EXPECT_TEXT(pw_json_text(&arena, a, PW_JSON_SORTED).ptr, "{\"a\":1,\"k0\":0," TEN "}");
    EXPECT_TEXT(json(pw_without(&arena, a, PW_LIT("k0"))), "{" TEN ",\"a\":1}");
    EXPECT_TEXT(json(pw_with(&arena, base, PW_LIT("b"), pw_int(4))), "{\"k0\":0," TEN ",\"b\":4}");
    EXPECT_TEXT(json(pw_copy(&arena, base)), "{\"k0\":0," TEN "}");
    EXPECT(pw_equal(base, pw_without(&arena, a, PW_LIT("a"))));
    EXPECT(pw_equal(base, pw_without(&arena, b, PW_LIT("b"))));
    EXPECT_INT(pw_compare(a, base), -1); /* a is before k0 */
    EXPECT_INT(pw_compare(a, b), -1);
    EXPECT_INT(pw_compare(aa, a), -1); /* b is before k0 */
}

TEST(growing, is_for_the_owner_only)
{
    begin();
    uint64_t owner = pw_owner_new(), other = pw_owner_new();
    EXPECT(owner != 0 && other != owner);
    pw_value v = grown_from(owner, pw_null(), 0, 10);
    pw_value theirs = grown(other, v, "x", pw_int(1)), ours = grown(owner, v, "y", pw_int(2));
    EXPECT(pw_members(theirs) != pw_members(v));
    EXPECT(pw_members(ours) == pw_members(v));
    EXPECT_INT(pw_get_lit(ours, "x").type, PW_NONE);
    EXPECT_INT(pw_get_lit(theirs, "y").type, PW_NONE);
    pw_value fixed = numbered(20); /* what was not made to grow is never written */
    EXPECT(pw_members(grown(owner, fixed, "x", pw_int(1))) != pw_members(fixed));
}

TEST(growing, costs_what_it_adds)
{
    begin();
    enum { MANY = 50000 };
    for (int order = 0; order < 3; order++) { /* ascending, descending, neither */
        pw_arena_reset(&arena);
        uint64_t owner = pw_owner_new();
        pw_value v = pw_null();
        size_t touched = 0;
        for (int i = 0; i < MANY; i++) {
            int n = order == 0 ? i : order == 1 ? MANY - 1 - i : i * 7919 % MANY;
            v = pw_with_growing(&arena, owner, v, pw_arena_printf(&arena, "%06d", n), pw_int(n),
                                &touched);
        }
        EXPECT_INT(v.count, MANY);
        EXPECT(touched < (size_t)MANY * 2000); /* copying each time: 50,000 times 900,000 */
        EXPECT(arena.used < (size_t)MANY * 200);
        const pw_member **sorted = pw_members_sorted(v, &arena);
        for (int i = 0; i < MANY; i++) {
            char key[16];
            (void)snprintf(key, sizeof key, "%06d", i);
            EXPECT_STR(sorted[i]->key, key);
            EXPECT_INT(pw_get_lit(v, key).as.integer, i);
        }
    }
}

TEST(growing, replaces_alone)
{
    begin();
    uint64_t owner = pw_owner_new();
    pw_value v = grown_from(owner, pw_null(), 0, 600), small = read_json("{\"a\":1,\"b\":2}");
    for (int i = 0; i < 600; i++)
        EXPECT(pw_replace_alone(v, pw_arena_printf(&arena, "k%d", i), pw_int(-i)));
    for (int i = 0; i < 600; i++)
        EXPECT_INT(pw_get(v, pw_arena_printf(&arena, "k%d", i)).as.integer, -i);
    EXPECT(!pw_replace_alone(v, PW_LIT("k600"), pw_int(0)));
    EXPECT(pw_replace_alone(small, PW_LIT("b"), pw_null()));
    EXPECT(!pw_replace_alone(small, PW_LIT("c"), pw_null()));
    EXPECT_TEXT(json(small), "{\"a\":1,\"b\":null}");
}

/* A rewind takes what grew since the mark; what is older is as it was, for an owner that is new. */
TEST(growing, survives_a_rewind)
{
    begin();
    for (int had = 0; had < 40; had++) {
        pw_arena_reset(&arena);
        pw_value v = grown_from(pw_owner_new(), pw_null(), 0, had);
        const char *before = json(v);
        for (int round = 0; round < 3; round++) {
            pw_arena_mark mark = pw_arena_at(&arena);
            pw_value more = grown_from(pw_owner_new(), v, had, had + 30);
            EXPECT_INT(more.count, had + 30);
            pw_arena_rewind(&arena, mark);
            memset(pw_arena_alloc(&arena, 8000), 0xAA, 8000); /* in the place of what went */
            pw_arena_rewind(&arena, mark);
            EXPECT_TEXT(json(v), before);
            EXPECT_INT(pw_get_lit(v, "k39").type, PW_NONE);
        }
        pw_value more = grown_from(pw_owner_new(), v, had, 60);
        for (int i = 0; i < 60; i++)
            EXPECT_INT(pw_get(more, pw_arena_printf(&arena, "k%d", i)).as.integer, i);
        EXPECT_TEXT(json(v), before);
    }
}

TEST(growing, without_memory_gives_none_and_harms_nothing)
{
    begin();
    uint64_t owner = pw_owner_new();
    pw_value v = { .type = PW_NULL };
    bool failed_once = false;
    for (int i = 0; i < 300; i++) {
        pw_str key = pw_arena_printf(&arena, "k%d", i * 37 % 300);
        pw_value next = { .type = PW_NONE };
        for (size_t room = 1; next.type == PW_NONE; room *= 2) {
            size_t touched = 0;
            arena.limit = arena.used + room;
            next = pw_with_growing(&arena, owner, v, key, pw_int(i), &touched);
            arena.limit = 0;
            EXPECT(arena.failed == (next.type == PW_NONE));
            failed_once = failed_once || arena.failed;
            arena.failed = arena.over_limit = false;
            EXPECT_INT(pw_get(v, key).type, PW_NONE);
        }
        EXPECT_INT(next.count, i + 1);
        v = next;
    }
    EXPECT(failed_once);
    for (int i = 0; i < 300; i++)
        EXPECT_INT(pw_get(v, pw_arena_printf(&arena, "k%d", i * 37 % 300)).as.integer, i);
}

/* ---- ... against a model that copies everything */

enum { KEYS = 1500, VERSIONS = 24 };

typedef struct version {
    pw_value v;
    int count, keys[KEYS], values[KEYS]; /* in the order of insertion */
} version;

static version versions[VERSIONS];
static pw_str key_names[KEYS];

static uint64_t seed;
static int random_below(int n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int)(seed % (uint64_t)n);
}

static void model_set(version *w, int key, int value)
{
    for (int i = 0; i < w->count; i++) {
        if (w->keys[i] == key) {
            w->values[i] = value;
            return;
        }
    }
    w->keys[w->count] = key;
    w->values[w->count++] = value;
}

static void model_remove(version *w, int key)
{
    int kept = 0;
    for (int i = 0; i < w->count; i++) {
        if (w->keys[i] != key) {
            w->keys[kept] = w->keys[i];
            w->values[kept++] = w->values[i];
        }
    }
    w->count = kept;
}

static void check_version(const version *w)
{
    static int place[KEYS];
    pw_arena_mark mark = pw_arena_at(&arena);
    EXPECT_INT(w->v.count, w->count);
    memset(place, 0, sizeof place);
    for (int i = 0; i < w->count; i++) {
        EXPECT(pw_members(w->v)[i].key.ptr &&
               pw_str_eq(pw_members(w->v)[i].key, key_names[w->keys[i]]));
        EXPECT_INT(pw_members(w->v)[i].value.as.integer, w->values[i]);
        place[w->keys[i]] = i + 1;
    }
    for (int k = 0; k < KEYS; k++) {
        pw_value found = pw_get(w->v, key_names[k]);
        EXPECT_INT(found.type, place[k] ? PW_NUMBER : PW_NONE);
        if (place[k])
            EXPECT_INT(found.as.integer, w->values[place[k] - 1]);
    }
    const pw_member **sorted = pw_members_sorted(w->v, &arena);
    for (int k = 0, at = 0; k < KEYS; k++) { /* names ascend */
        if (place[k])
            EXPECT_STR(sorted[at++]->key, key_names[k].ptr);
    }
    pw_arena_rewind(&arena, mark);
}

static void random_run(uint64_t start, int steps)
{
    begin();
    seed = start;
    for (int k = 0; k < KEYS; k++)
        key_names[k] = pw_arena_printf(&arena, "%05d", k);
    for (int i = 0; i < VERSIONS; i++) {
        versions[i].v = pw_object_of(&arena, NULL, 0);
        versions[i].count = 0;
    }
    uint64_t owners[2] = { pw_owner_new(), pw_owner_new() };
    int newest = 0;
    for (int step = 0; step < steps; step++) {
        int from = random_below(4) ? newest : random_below(VERSIONS);
        int to = random_below(VERSIONS), key = random_below(KEYS), what = random_below(60);
        version *w = &versions[to];
        uint64_t owner = owners[random_below(20) == 0];
        size_t touched = 0;
        if (to != from)
            *w = versions[from];
        if (what == 0) {
            w->v = pw_without(&arena, w->v, key_names[key]);
            model_remove(w, key);
        } else if (what == 1) {
            w->v = pw_with(&arena, w->v, key_names[key], pw_int(step));
            model_set(w, key, step);
        } else if (what == 2) {
            w->v = pw_copy(&arena, w->v);
        } else if (what == 3 && w->count > 0) { /* a known key */
            key = w->keys[random_below(w->count)];
            w->v = pw_with_growing(&arena, owner, w->v, key_names[key], pw_int(step), &touched);
            model_set(w, key, step);
        } else {
            for (int n = random_below(12); n >= 0; n--, key = (key * 31 + 7) % KEYS) {
                w->v = pw_with_growing(&arena, owner, w->v, key_names[key], pw_int(step), &touched);
                model_set(w, key, step);
            }
        }
        newest = to;
        if (w->count > KEYS - 200) { /* begins again; the old versions stay */
            w->v = pw_object_of(&arena, NULL, 0);
            w->count = 0;
        }
        check_version(w);
        check_version(&versions[random_below(VERSIONS)]);
        const version *a = &versions[random_below(VERSIONS)],
                      *b = &versions[random_below(VERSIONS)];
        bool same = a->count == b->count;
        for (int i = 0; i < a->count && same; i++)
            same = pw_integer(pw_get(b->v, key_names[a->keys[i]]), &(int64_t){ 0 }) &&
                   pw_get(b->v, key_names[a->keys[i]]).as.integer == a->values[i];
        EXPECT_INT(pw_equal(a->v, b->v), same);
        EXPECT_INT(pw_compare(a->v, b->v), -pw_compare(b->v, a->v));
    }
    for (int i = 0; i < VERSIONS; i++)
        check_version(&versions[i]);
}

TEST(growing, agrees_with_a_model_over_many_versions)
{
    random_run(20250101, 1200);
    random_run(7, 1200);
}

/* ---- comparing */

TEST(compare, the_order_of_all_kinds)
{
    begin();
    static const char *const ascending[] = {
        "null",
        "false",
        "true",
        "-1e1000000000",
        "-9223372036854775808",
        "-1.5",
        "-1e-1000000000",
        "0",
        "1e-1000000000",
        "0.1",
        "0.2",
        "1",
        "1.0000000000000000000000001",
        "2",
        "10",
        "9007199254740992",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "12345678901234567890",
        "12345678901234567891",
        "1e1000000000",
        "2e1000000000",
        "1e99999999999999999999999999",
        "1e100000000000000000000000000",
        "1e100000000000000000000000001",
        "\"\"",
        "\"a\"",
        "\"aa\"",
        "\"b\"",
        "\"\xC3\xA9\"",
        "[]",
        "[null]",
        "[1]",
        "[1,2]",
        "[[1]]",
        "[[1,2],0]",
        "{}",
        "{\"a\":2}",
        "{\"a\":1,\"b\":2}",
        "{\"b\":1,\"a\":3}",
        "{\"a\":1,\"c\":0}",
        "{\"b\":0}",
        "{\"b\":[1]}",
    };
    for (size_t i = 0; i < PW_LENGTH(ascending); i++) {
        for (size_t j = 0; j < PW_LENGTH(ascending); j++) {
            int order = pw_compare(read_json(ascending[i]), read_json(ascending[j]));
            if (order != (i > j) - (i < j))
                fail_msg("%s and %s: %d", ascending[i], ascending[j], order);
        }
    }
}

TEST(compare, numbers_are_equal_by_value)
{
    begin();
    static const char *const groups[][5] = {
        { "1", "1.0", "1e0", "10e-1", "0.00001e5" },
        { "0", "-0", "0.0", "0e999999999999", "-0.000" },
        { "1e2", "100", "100.00", "0.1e3", "1000E-1" },
        { "-2.50", "-2.5", "-25e-1", "-0.25e1", "-2.500" },
        { "1e100000000000000000000", "10e99999999999999999999", "0.1e100000000000000000001",
          "1.0e100000000000000000000", "1e0100000000000000000000" },
        { "1e-100000000000000000000", "0.1e-99999999999999999999", "10e-100000000000000000001",
          "1.0e-100000000000000000000", "1E-100000000000000000000" },
        { "12345678901234567890", "12345678901234567890.0", "1234567890123456789e1",
          "1.2345678901234567890e19", "0.1234567890123456789e20" },
    };
    for (size_t g = 0; g < PW_LENGTH(groups); g++) {
        for (size_t i = 0; i < 5; i++) {
            for (size_t j = 0; j < 5; j++) {
                if (!pw_equal(read_json(groups[g][i]), read_json(groups[g][j])))
                    fail_msg("%s and %s differ", groups[g][i], groups[g][j]);
            }
        }
    }
}

TEST(compare, a_computed_number_equals_the_literal_it_is_written_as)
{
    begin();
    static const double numbers[] = {
        0.1, 0.1 + 0.2, 1e23, 1e300, 5e-324, -1.5, 1152921504606846976.0
    };
    for (size_t i = 0; i < PW_LENGTH(numbers); i++) {
        pw_value computed = pw_real(numbers[i]), literal = read_json(json(computed));
        EXPECT_INT(computed.form, PW_FORM_REAL);
        EXPECT_INT(literal.form != PW_FORM_REAL, 1);
        EXPECT_INT(pw_compare(computed, literal), 0);
        EXPECT_INT(pw_compare(pw_real(nextafter(numbers[i], 1e308)), literal), 1);
        EXPECT_INT(pw_compare(literal, pw_real(nextafter(numbers[i], -1e308))), 1);
    }
    EXPECT_INT(pw_compare(pw_int(3), pw_real(2.5)), 1);
    EXPECT_INT(pw_compare(pw_real(1e19), pw_int(INT64_MAX)), 1);
    EXPECT_INT(pw_compare(pw_int(INT64_MAX), pw_real(-1e19)), 1);
}

TEST(compare, objects_are_equal_in_any_order_of_their_keys)
{
    begin();
    EXPECT(pw_equal(read_json("{\"a\":1,\"b\":[1.0]}"), read_json("{\"b\":[1],\"a\":1}")));
    EXPECT(!pw_equal(read_json("{\"a\":1}"), read_json("{\"a\":1,\"b\":1}")));
    EXPECT(!pw_equal(read_json("[1]"), read_json("[1,1]")));
    pw_value large = numbered(100);
    pw_object_builder b = { .arena = &arena };
    for (int i = 0; i < 100; i++)
        pw_object_add(&b, pw_arena_printf(&arena, "k%d", i), pw_int(i));
    pw_value ordered = pw_object_end(&b);
    EXPECT(pw_equal(large, ordered));
    EXPECT_INT(pw_compare(pw_with(&arena, large, PW_LIT("k50"), pw_int(51)), ordered), 1);
}

TEST(compare, deep_values_cost_no_c_stack)
{
    begin();
    enum { DEEP = 1000000 };
    pw_value a = nested(pw_int(1), DEEP), b = nested(pw_int(2), DEEP);
    EXPECT_INT(pw_compare(a, b), -1);
    EXPECT(pw_equal(a, nested(pw_int(1), DEEP)));
    pw_value copy = pw_copy(&arena, a);
    EXPECT_INT(pw_compare(a, copy), 0);
    EXPECT_INT(pw_footprint(copy, SIZE_MAX), DEEP * 16);
}

/* ---- numbers */

TEST(number, integers_are_exact_or_refused)
{
    begin();
    // clang-format off
    static const struct {
        const char *text;
        bool exact;
        int64_t value;
    } cases[] = {
        { "0", true, 0 }, { "-0", true, 0 }, { "1.0", true, 1 }, { "1e3", true, 1000 },
        { "12.50e1", true, 125 }, { "0.001e3", true, 1 }, { "-1e18", true, -1000000000000000000 },
        { "9223372036854775807", true, INT64_MAX }, { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775807.0", true, INT64_MAX }, { "9223372036854775808", false, 0 },
        { "-9223372036854775809", false, 0 }, { "1e19", false, 0 }, { "1.5", false, 0 },
        { "1e-1", false, 0 }, { "12.55e1", false, 0 }, { "1e1000000000000000000000", false, 0 },
        { "1e-1000000000000000000000", false, 0 }, { "0e1000000000000000000000", true, 0 },
        { "\"1\"", false, 0 }, { "null", false, 0 },
    };
    // clang-format on
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        int64_t n = 77;
        if (pw_integer(read_json(cases[i].text), &n) != cases[i].exact ||
            n != (cases[i].exact ? cases[i].value : 77))
            fail_msg("%s", cases[i].text);
    }
    int64_t n = 0;
    EXPECT(pw_integer(pw_real(1e18), &n));
    EXPECT(n == 1000000000000000000);
    EXPECT(!pw_integer(pw_real(0.5), &n));
}

static uint64_t bits_of(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

TEST(number, literals_are_the_nearest_double)
{
    begin();
    // clang-format off
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        { "0.1", 0.1 }, { "-0", -0.0 }, { "-0.0e5", -0.0 }, { "1e23", 1e23 }, { "1.7976931348623157e308", DBL_MAX },
        { "1e1000", DBL_MAX }, { "-1e1000000000000000000000000", -DBL_MAX }, { "1e-1000000000000000000000000", 0.0 },
        { "5e-324", 5e-324 }, { "2e-324", 0.0 }, { "12345678901234567890", 12345678901234567890.0 },
        { "9007199254740993", 9007199254740992.0 }, { "9007199254740993.0000000000000000000000000001", 9007199254740994.0 },
        { "0.000000000000000000000000000000000000000000000000000001", 1e-54 },
        { "123456789012345678901234567890e-29", 1.2345678901234567890123456789 },
    };
    // clang-format on
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        if (bits_of(pw_number(read_json(cases[i].text))) != bits_of(cases[i].value))
            fail_msg("%s: %.17g", cases[i].text, pw_number(read_json(cases[i].text)));
    }
    EXPECT(bits_of(pw_number(pw_string_ref(PW_LIT("1")))) == 0);
}

TEST(number, a_digit_far_behind_decides_a_tie)
{
    begin();
    char text[2100]; /* 1 + 2^-53, halfway between two doubles, then zeros, then perhaps a one */
    memset(text, '0', sizeof text);
    static const char half[] = "1.00000000000000011102230246251565404236316680908203125";
    memcpy(text, half, sizeof half - 1);
    text[2000] = '\0';
    EXPECT(bits_of(pw_number(read_json(text))) == bits_of(1.0));
    text[1999] = '1';
    EXPECT(bits_of(pw_number(read_json(text))) == bits_of(1.0 + DBL_EPSILON));
    EXPECT_INT(pw_compare(read_json(text), read_json(half)), 1);
}

TEST(number, reals_become_integers_where_both_say_the_same)
{
    begin();
    EXPECT_INT(pw_real(3.0).form, PW_FORM_INT);
    EXPECT_INT(pw_real(9007199254740991.0).form, PW_FORM_INT);
    EXPECT_INT(pw_real(9007199254740992.0).form, PW_FORM_REAL);
    EXPECT_INT(pw_real(0.0).form, PW_FORM_INT);
    EXPECT_TEXT(json(pw_real(-0.0)), "-0");
    EXPECT_INT(pw_real((double)NAN).type, PW_NULL);
    EXPECT_TEXT(json(pw_real((double)INFINITY)), "1.7976931348623157e+308");
    EXPECT_TEXT(json(pw_real(-(double)INFINITY)), "-1.7976931348623157e+308");
}

TEST(number, of_text_takes_numbers_only)
{
    begin();
    EXPECT_INT(pw_number_of(&arena, PW_LIT("12")).as.integer, 12);
    EXPECT_TEXT(json(pw_number_of(&arena, PW_LIT("1.50"))), "1.50");
    static const char *const refused[] = { "",   " 1", "1 ",  "01", "+1", ".5",
                                           "1.", "1e", "nan", "-",  "0x1" };
    for (size_t i = 0; i < PW_LENGTH(refused); i++)
        EXPECT_INT(pw_number_of(&arena, pw_str_of(refused[i])).type, PW_NONE);
}

/* ---- copying and measuring */

TEST(copy, shares_nothing)
{
    begin();
    static const char text[] =
        "{\"a\":[1,1.50,\"x\",{\"b\":{},\"c\":[]}],\"d\":12345678901234567890,"
        "\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1,\"k\":[null]}";
    pw_arena other;
    pw_arena_init(&other, 0);
    pw_value copy = pw_copy(&other, read_json(text));
    pw_arena_done(&arena);
    pw_arena_init(&arena, 0);
    EXPECT_TEXT(json(copy), text);
    EXPECT_STR(pw_get_text(pw_with(&arena, copy, PW_LIT("z"), pw_string_ref(PW_LIT("!"))), "z"),
               "!");
    EXPECT_INT(pw_get_lit(copy, "j").as.integer, 1);
    pw_arena_done(&other);
}

TEST(copy, without_memory_gives_none)
{
    begin();
    pw_value v = nested(read_json("{\"a\":[1,1.50,\"x\"]}"), 100);
    pw_arena small;
    for (size_t limit = 16; limit < 1700; limit += 16) {
        pw_arena_init(&small, limit);
        EXPECT_INT(pw_copy(&small, v).type, PW_NONE);
        EXPECT(small.failed);
        pw_arena_done(&small);
    }
    for (uint64_t n = 1; n <= 3; n++) { /* a first chunk, two growths of the stack */
        pw_arena_init(&small, 0);
        pw_alloc_fail_after(n);
        pw_value copy = pw_copy(&small, v);
        pw_alloc_fail_after(0);
        EXPECT_INT(copy.type, PW_NONE);
        pw_arena_done(&small);
    }
}

TEST(footprint, counts_what_a_value_holds)
{
    begin();
    EXPECT_INT(pw_footprint(pw_int(1), 1000), 0);
    EXPECT_INT(pw_footprint(read_json("\"four\""), 1000), 4);
    EXPECT_INT(pw_footprint(read_json("1.50"), 1000), 4);
    EXPECT_INT(pw_footprint(read_json("[1,\"ab\",[],[null]]"), 1000), 4 * 16 + 2 + 16);
    EXPECT_INT(pw_footprint(read_json("{\"key\":\"ab\"}"), 1000), 16 + 32 + 3 + 2);
    EXPECT(pw_footprint(nested(pw_int(1), 100000), 1000) <= 1016);
}

TEST_MAIN()
