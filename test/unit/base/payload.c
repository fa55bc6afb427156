/* payload.c - large values: put out, known again, read back, copied. */
#include <stdlib.h>

#include "test.h"
#include "base/digest.h"
#include "base/payload.h"
#include "base/value.h"

/* sha256sum of 16,382 letters a in quotes, and of 20,000 letters b */
#define A_NAME "9a5bdf850808e3287716c938905b726764d82fa42db8d6c81ce0a886cadaeb2b"
#define B_NAME "dc6a21e227f118fba1583249836b63ef60574e5965dd85d909584bf4b53825c4"
enum { A_LETTERS = 16382, B_LETTERS = 20000 };

/* What a store would keep, and how often it was asked. */
typedef struct kept {
    pw_payload_list list;
    unsigned asked;
} kept;

static pw_arena arena;

static void begin(void)
{
    pw_arena_done(&arena);
    pw_arena_init(&arena, 0);
}

static pawl_code get(void *context, pw_str instance, pw_str digest, pw_str *out, pw_arena *into,
                     pawl_error *err)
{
    kept *k = context;
    k->asked++;
    EXPECT_STR(instance, "i1");
    for (size_t i = 0; i < k->list.count; i++)
        if (pw_str_eq(k->list.items[i].digest, digest)) {
            *out = pw_arena_str(into, k->list.items[i].text);
            return out->ptr ? PAWL_OK : pw_no_memory(err);
        }
    return pw_fail(err, PAWL_NOT_FOUND, "no such payload");
}

static pw_payload_source source_of(kept *k)
{
    return (pw_payload_source){ .get = get, .context = k, .instance = PW_LIT("i1") };
}

/* Keeps a text as it is, and gives its name. */
static const char *keep(kept *k, const char *text)
{
    char hex[PW_DIGEST_HEX_SIZE];
    pw_digest digest = pw_digest_of_text(pw_str_of(text));
    pw_digest_hex(hex, &digest);
    pw_payload *items = pw_arena_grow(&arena, k->list.items, k->list.count * sizeof *items,
                                      (k->list.count + 1) * sizeof *items);
    items[k->list.count++] =
        (pw_payload){ pw_arena_str(&arena, pw_str_of(hex)), pw_arena_str(&arena, pw_str_of(text)) };
    k->list.items = items;
    k->list.size = k->list.count;
    return items[k->list.count - 1].digest.ptr;
}

/* The text of v; what is new goes to `k`. */
static const char *write_known(kept *k, pw_value v, const pw_known **known)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_putting put = { .arena = &arena, .known = *known, .list = &k->list };
    pw_payload_write(&buf, v, &put);
    EXPECT(!buf.failed);
    *known = pw_putting_end(&put);
    pw_str text = pw_arena_str(&arena, pw_buf_view(&buf));
    pw_str plain = pw_json_text(&arena, v, PW_JSON_COMPACT);
    EXPECT_INT(put.differs, !pw_str_eq(text, plain));
    pw_buf_done(&buf);
    return text.ptr;
}

static const char *write(kept *k, pw_value v)
{
    const pw_known *known = NULL;
    return write_known(k, v, &known);
}

static pawl_code read_with(pw_value *out, const char *text, const pw_payload_source *source,
                           const pw_known **known, pawl_error *err)
{
    EXPECT_OK(pw_json_parse(out, pw_str_of(text), NULL, &arena, err), *err);
    return pw_payload_resolve(out, source, known, &arena, err);
}

static pw_value read_back(kept *k, const char *text, const pw_known **known)
{
    pw_value v;
    pawl_error err = { 0 };
    const pw_payload_source source = source_of(k);
    EXPECT_OK(read_with(&v, text, &source, known, &err), err);
    return v;
}

static const char *json(pw_value v)
{
    return pw_json_text(&arena, v, PW_JSON_COMPACT).ptr;
}

static pw_value letters(char letter, size_t count)
{
    char *text = pw_arena_alloc(&arena, count);
    memset(text, letter, count);
    return pw_string_ref((pw_str){ text, count });
}

static pw_value parse(const char *text)
{
    pw_value v;
    pawl_error err = { 0 };
    EXPECT_OK(pw_json_parse(&v, pw_str_of(text), NULL, &arena, &err), err);
    return v;
}

static pw_value pair(const char *key, pw_value a, const char *other, pw_value b)
{
    pw_member members[] = { { pw_str_of(key), a }, { pw_str_of(other), b } };
    return pw_object_of(&arena, members, 2);
}

/* [0,1,2, ...] with a text of 16 KiB at least */
static pw_value numbers(int64_t from)
{
    pw_array_builder list = { .arena = &arena };
    for (int64_t i = 0; i < 4000; i++)
        pw_array_add(&list, pw_int(from + i));
    return pw_array_end(&list);
}

/* ------------------------------------------------------------------ writing */

TEST(payload, a_value_of_16_kib_of_text_is_put_out_and_a_smaller_one_stays)
{
    begin();
    kept k = { 0 };
    pw_value large = pair("n", pw_int(1), "a", letters('a', A_LETTERS));
    EXPECT_TEXT(write(&k, large), "{\"n\":1,\"a\":{\"$payload\":\"" A_NAME "\"}}");
    EXPECT_INT(k.list.count, 1);
    EXPECT_STR(k.list.items[0].digest, A_NAME);
    EXPECT_INT(k.list.items[0].text.len, 16384);
    EXPECT_INT(strspn(k.list.items[0].text.ptr + 1, "a"), A_LETTERS);
    pw_value small = letters('a', A_LETTERS - 1);
    EXPECT_INT(strlen(write(&k, small)), 16383);
    EXPECT_INT(k.list.count, 1);
    /* what counts is the text: six bytes for one */
    EXPECT_INT(strlen(write(&k, letters('\x01', 2730))), 16382);
    EXPECT_INT(strlen(write(&k, letters('\x01', 2731))), strlen("{\"$payload\":\"" A_NAME "\"}"));
    EXPECT_INT(k.list.count, 2);
}

TEST(payload, members_are_put_out_before_the_whole)
{
    begin();
    kept k = { 0 };
    pw_value inner = pair("x", letters('b', B_LETTERS), "list", numbers(0));
    pw_value v = pair("small", pw_string_ref(PW_LIT("s")), "inner", inner);
    const char *text = write(&k, v);
    EXPECT_INT(k.list.count, 2); /* `inner` is small, once they are out */
    EXPECT_STR(k.list.items[0].digest, B_NAME);
    EXPECT_INT(strncmp(k.list.items[0].text.ptr, "\"bbbb", 5), 0);
    EXPECT_INT(strncmp(k.list.items[1].text.ptr, "[0,1,2,3,", 9), 0);
    EXPECT_CONTAINS(text, "{\"small\":\"s\",\"inner\":{\"x\":{\"$payload\":\"" B_NAME
                          "\"},\"list\":{\"$payload\":\"");
    EXPECT_TEXT(json(read_back(&k, text, NULL)), json(v));
}

TEST(payload, a_payload_may_refer_to_others)
{
    begin();
    kept k = { 0 };
    pw_array_builder all = { .arena = &arena };
    for (int i = 0; i < 300; i++) { /* 300 references are a large text, too */
        pw_value one[] = { pw_int(i), letters('b', B_LETTERS) };
        pw_array_add(&all, pw_array(&arena, one, 2));
    }
    pw_value v = pw_array_end(&all);
    const char *text = write(&k, v);
    EXPECT_INT(strlen(text), strlen("{\"$payload\":\"" A_NAME "\"}"));
    EXPECT_INT(k.list.count, 301);
    EXPECT_INT(strncmp(k.list.items[300].text.ptr, "[[0,{\"$payload\":\"" B_NAME "\"}],[1,", 88),
               0);
    k.asked = 0;
    pw_value back = read_back(&k, text, NULL);
    EXPECT_INT(k.asked, 2); /* the same text is one payload */
    EXPECT_INT(back.count, 300);
    EXPECT(pw_equal(back, v));
    EXPECT(pw_item(pw_item(back, 0), 1).as.text == pw_item(pw_item(back, 299), 1).as.text);
}

TEST(payload, values_in_few_containers_stay_in_their_place)
{
    begin();
    kept k = { 0 };
    pw_value entry = pair("type", pw_string_ref(PW_LIT("t")), "output", numbers(0));
    pw_array_builder all = { .arena = &arena };
    for (int i = 0; i < 300; i++)
        pw_array_add(&all, entry);
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_putting put = { .arena = &arena, .list = &k.list, .depth = 2 };
    pw_payload_write(&buf, pw_array_end(&all), &put);
    EXPECT(!buf.failed && put.differs);
    EXPECT(buf.len > 16384);
    EXPECT_INT(strncmp(buf.ptr, "[{\"type\":\"t\",\"output\":{\"$payload\":\"", 34), 0);
    EXPECT_INT(k.list.count, 1); /* the same body: known from the second on */
    pw_buf_done(&buf);
}

TEST(payload, an_object_that_looks_like_a_reference_is_told_from_one)
{
    begin();
    static const char *const cases[][2] = {
        { "{\"$payload\":\"x\"}", "{\"$$payload\":\"x\"}" },
        { "{\"$payload\":\"" A_NAME "\"}", "{\"$$payload\":\"" A_NAME "\"}" },
        { "{\"$$payload\":{\"$payload\":1}}", "{\"$$$payload\":{\"$$payload\":1}}" },
        { "[{\"$$$payload\":null}]", "[{\"$$$$payload\":null}]" },
        { "{\"$payload\":1,\"b\":2}", "{\"$payload\":1,\"b\":2}" },
        { "{\"payload\":1}", "{\"payload\":1}" },
        { "{\"$payloads\":1}", "{\"$payloads\":1}" },
        { "{\"x$payload\":1}", "{\"x$payload\":1}" },
        { "{\"$\":1}", "{\"$\":1}" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        kept k = { 0 };
        const char *text = write(&k, parse(cases[i][0]));
        EXPECT_TEXT(text, cases[i][1]);
        EXPECT_TEXT(json(read_back(&k, text, NULL)), cases[i][0]);
        EXPECT_INT(k.asked, 0);
    }
}

/* ------------------------------------------------------------------ what is known */

TEST(payload, what_was_put_out_is_referred_to_without_being_put_out_again)
{
    begin();
    kept k = { 0 };
    const pw_known *known = NULL;
    pw_value list = numbers(0);
    const char *first = write_known(&k, pair("n", pw_int(1), "list", list), &known);
    EXPECT_INT(k.list.count, 1);
    const pw_known *before = known;
    const char *second = write_known(&k, pair("n", pw_int(2), "list", list), &known);
    EXPECT_INT(k.list.count, 1);
    EXPECT(known == before); /* nothing was added */
    EXPECT_TEXT(first + 7, second + 7);
    /* another value with the same text: the same name, and put out again */
    EXPECT_TEXT(write_known(&k, pair("n", pw_int(1), "list", numbers(0)), &known), first);
    EXPECT_INT(k.list.count, 2);
    EXPECT(pw_str_eq(k.list.items[1].digest, k.list.items[0].digest));
}

TEST(payload, a_version_of_an_object_that_grows_is_known_for_itself)
{
    begin();
    kept k = { 0 };
    const pw_known *known = NULL;
    uint64_t owner = pw_owner_new();
    size_t touched = 0;
    pw_value object = pw_object_of(&arena, NULL, 0), younger = object, older = object;
    for (int i = 0; i < 3000; i++) {
        pw_str key = pw_arena_printf(&arena, "k%d", i);
        younger = pw_with_growing(&arena, owner, younger, key, pw_int(i), &touched);
        if (i == 2500)
            older = younger;
    }
    EXPECT(older.count < younger.count);
    const char *a = write_known(&k, older, &known);
    const char *b = write_known(&k, younger, &known);
    EXPECT_INT(k.list.count, 2);
    EXPECT(strcmp(a, b) != 0);
    EXPECT_TEXT(write_known(&k, older, &known), a);
    EXPECT_TEXT(write_known(&k, younger, &known), b);
    EXPECT_INT(k.list.count, 2);
}

TEST(payload, a_thousand_known_values_are_all_found)
{
    begin();
    enum { COUNT = 1000 };
    kept k = { 0 };
    const pw_known *known = NULL;
    static pw_value values[COUNT];
    static const char *texts[COUNT];
    for (size_t i = 0; i < COUNT; i++) { /* one after the other, as steps do */
        char *text = pw_arena_alloc(&arena, B_LETTERS);
        memset(text, 'c', B_LETTERS);
        memcpy(text,
               &(char[]){ (char)('a' + i % 26), (char)('a' + i / 26 % 26), (char)('a' + i / 676) },
               3);
        values[i] = pw_string_ref((pw_str){ text, B_LETTERS });
        texts[i] = write_known(&k, values[i], &known);
        EXPECT_INT(k.list.count, i + 1);
    }
    for (size_t i = 0; i < COUNT; i++)
        EXPECT_TEXT(write_known(&k, values[i], &known), texts[i]);
    EXPECT_INT(k.list.count, COUNT);
}

/* ------------------------------------------------------------------ reading */

TEST(payload, what_was_read_is_shared_and_known)
{
    begin();
    kept k = { 0 };
    pw_value shared = numbers(7);
    pw_value v = pair("a", shared, "b", pair("c", shared, "d", letters('b', B_LETTERS)));
    const char *text = write(&k, v);
    EXPECT_INT(k.list.count, 2);
    const pw_known *known = NULL;
    pw_value back = read_back(&k, text, &known);
    EXPECT_INT(k.asked, 2);
    EXPECT_TEXT(json(back), json(v));
    pw_value b = pw_get_lit(back, "b");
    EXPECT(pw_get_lit(back, "a").as.items == pw_get_lit(b, "c").as.items);
    EXPECT_TEXT(write_known(&k, back, &known), text);
    EXPECT_INT(k.list.count, 2); /* nothing is put out again after a restart */
}

TEST(payload, one_that_is_missing_or_damaged_is_told_by_its_name)
{
    begin();
    kept k = { 0 };
    pw_value v;
    pawl_error err = { 0 };
    const pw_payload_source source = source_of(&k);
    static const char text[] = "[{\"$payload\":\"" A_NAME "\"}]";
    EXPECT_INT(read_with(&v, text, &source, NULL, &err), PAWL_CORRUPT);
    EXPECT_TEXT(err.message,
                "payload " A_NAME " of instance i1 is missing; restore the store from a backup");
    EXPECT_INT(read_with(&v, text, NULL, NULL, &err), PAWL_CORRUPT);
    EXPECT_TEXT(err.message,
                "payload " A_NAME " cannot be read here; restore the store from a backup");
    (void)write(&k, letters('a', A_LETTERS));
    char *other = pw_arena_alloc(&arena, k.list.items[0].text.len);
    memcpy(other, k.list.items[0].text.ptr, k.list.items[0].text.len);
    other[9] = 'b';
    k.list.items[0].text.ptr = other;
    EXPECT_INT(read_with(&v, text, &source, NULL, &err), PAWL_CORRUPT);
    EXPECT_TEXT(err.message, "payload " A_NAME
                             " of instance i1 is damaged: its text has another digest; restore the "
                             "store from a backup");
}

TEST(payload, what_nobody_put_out_is_refused)
{
    begin();
    kept k = { 0 };
    pw_value v;
    pawl_error err = { 0 };
    const pw_payload_source source = source_of(&k);
    static const char *const none[] = { "{\"$payload\":1}", "[{\"$payload\":\"abc\"}]",
                                        "{\"$payload\":\"" A_NAME "0\"}",
                                        "{\"$payload\":\"A" B_NAME "\"}", "{\"$payload\":{}}" };
    for (size_t i = 0; i < PW_LENGTH(none); i++) {
        EXPECT_INT(read_with(&v, none[i], &source, NULL, &err), PAWL_CORRUPT);
        EXPECT_CONTAINS(err.message, "stored data of instance i1: a reference names no payload");
    }
    static const char *const bad[] = { "[1", "" };
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        pw_str text = pw_arena_printf(&arena, "{\"$payload\":\"%s\"}", keep(&k, bad[i]));
        EXPECT_INT(read_with(&v, text.ptr, &source, NULL, &err), PAWL_CORRUPT);
        EXPECT_CONTAINS(err.message, "is no value that was put out");
    }
    /* a payload that is only a reference: nobody makes one, and a chain of them would be endless */
    const char *name = keep(&k, "[1]");
    name = keep(&k, pw_arena_printf(&arena, "{\"$payload\":\"%s\"}", name).ptr);
    pw_str text = pw_arena_printf(&arena, "{\"$payload\":\"%s\"}", name);
    EXPECT_INT(read_with(&v, text.ptr, &source, NULL, &err), PAWL_CORRUPT);
    EXPECT_CONTAINS(err.message, "is no value that was put out");
}

/* A chain of payloads, each a list with the one before it; deeper than any C stack could bear. */
TEST(payload, nesting_through_payloads_has_the_limit_that_json_has)
{
    begin();
    kept k = { 0 };
    const char *name = keep(&k, "[0]");
    for (int i = 1; i < PW_JSON_DEPTH_MAX; i++)
        name = keep(&k, pw_arena_printf(&arena, "[{\"$payload\":\"%s\"}]", name).ptr);
    /* the newest is asked for first */
    for (size_t i = 0; i < k.list.count / 2; i++) {
        pw_payload other = k.list.items[i];
        k.list.items[i] = k.list.items[k.list.count - 1 - i];
        k.list.items[k.list.count - 1 - i] = other;
    }
    pw_value v;
    pawl_error err = { 0 };
    const pw_payload_source source = source_of(&k);
    pw_str text = pw_arena_printf(&arena, "{\"$payload\":\"%s\"}", name);
    EXPECT_OK(read_with(&v, text.ptr, &source, NULL, &err), err);
    unsigned depth = 0;
    for (pw_value at = v; pw_is(at, PW_ARRAY); at = pw_item(at, 0))
        depth++;
    EXPECT_INT(depth, PW_JSON_DEPTH_MAX);
    text = pw_arena_printf(&arena, "[{\"$payload\":\"%s\"}]", name);
    EXPECT_INT(read_with(&v, text.ptr, &source, NULL, &err), PAWL_CORRUPT);
    EXPECT_CONTAINS(err.message, "stored data of instance i1: it is nested too deep");
    /* the same where the deep one was read before */
    text = pw_arena_printf(&arena, "[0,[{\"$payload\":\"%s\"}]]", name);
    EXPECT_INT(read_with(&v, text.ptr, &source, NULL, &err), PAWL_CORRUPT);
}

/* Each list has the one before it ten times. */
static pw_value tenfold(pw_value v, unsigned levels)
{
    for (unsigned i = 0; i < levels; i++) {
        pw_value ten[10];
        for (size_t at = 0; at < PW_LENGTH(ten); at++)
            ten[at] = v;
        v = pw_array(&arena, ten, 10);
    }
    return v;
}

TEST(payload, what_is_larger_than_the_limit_in_one_piece_is_neither_written_nor_read)
{
    begin();
    kept k = { 0 };
    pw_value v = letters('b', B_LETTERS); /* 20,002 bytes; 10,000 of them are 200 MB */
    const char *text = write(&k, tenfold(v, 3));
    EXPECT_INT(k.list.count, 2); /* the letters, and a thousand references to them */
    EXPECT_INT(read_back(&k, text, NULL).count, 10);
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_putting put = { .arena = &arena, .list = &k.list };
    pw_payload_write(&buf, tenfold(v, 5), &put);
    EXPECT(buf.failed && put.whole > PW_PAYLOAD_WHOLE_MAX);
    pw_buf_done(&buf);
    /* ten of ten of ten ... as rows that somebody has made */
    const char *name = keep(&k, "[0]");
    pw_value out;
    pawl_error err = { 0 };
    for (unsigned level = 1; level < 30; level++) {
        pw_str ten = pw_arena_printf(&arena, "[0");
        for (unsigned i = 0; i < 10; i++)
            ten = pw_arena_printf(&arena, "%s,{\"$payload\":\"%s\"}", ten.ptr, name);
        name = keep(&k, pw_arena_printf(&arena, "%s]", ten.ptr).ptr);
    }
    const pw_payload_source source = source_of(&k);
    pw_str whole = pw_arena_printf(&arena, "{\"$payload\":\"%s\"}", name);
    EXPECT_INT(read_with(&out, whole.ptr, &source, NULL, &err), PAWL_CORRUPT);
    EXPECT_TEXT(err.message, "stored data of instance i1: with its payloads it is too large; "
                             "restore the store from a backup");
}

/* ------------------------------------------------------------------ copying */

TEST(payload, a_copy_keeps_what_is_shared_one_and_known)
{
    begin();
    kept k = { 0 };
    const pw_known *known = NULL;
    pw_value shared = numbers(7), small = parse("[1,2]");
    pw_value v = pair("a", shared, "b", pair("c", shared, "d", small));
    pw_value w = pair("again", pw_get_lit(v, "b"), "string", letters('b', B_LETTERS));
    const char *of_v = write_known(&k, v, &known), *of_w = write_known(&k, w, &known);
    EXPECT_INT(k.list.count, 2);
    pw_arena other;
    pw_arena_init(&other, 0);
    pw_copying copying;
    pawl_error err = { 0 };
    EXPECT_OK(pw_copying_init(&copying, known, &other, &err), err);
    pw_value v2 = pw_copying_copy(&copying, v), w2 = pw_copying_copy(&copying, w);
    const pw_known *known2 = pw_copying_done(&copying);
    EXPECT(pw_get_lit(v2, "a").as.items != shared.as.items);
    EXPECT(pw_get_lit(v2, "a").as.items == pw_get_lit(pw_get_lit(v2, "b"), "c").as.items);
    EXPECT(pw_get_lit(v2, "a").as.items == pw_get_lit(pw_get_lit(w2, "again"), "c").as.items);
    EXPECT_TEXT(write_known(&k, v2, &known2), of_v);
    EXPECT_TEXT(write_known(&k, w2, &known2), of_w);
    EXPECT_INT(k.list.count, 2);
    /* the old values are not known by it */
    (void)write_known(&k, v, &known2);
    EXPECT_INT(k.list.count, 3);
    pw_arena_done(&other);
}

/* ------------------------------------------------------------------ memory */

TEST(payload, running_out_of_memory_is_told_wherever_it_happens)
{
    begin();
    pw_value v = pair("a", numbers(0), "b", pair("c", numbers(1), "d", letters('b', B_LETTERS)));
    unsigned failures = 0;
    bool done = false;
    for (uint64_t n = 1; !done; n++) {
        pw_arena own, second;
        pw_arena_init(&own, 0);
        pw_arena_init(&second, 0);
        pw_buf buf;
        pw_buf_init(&buf, 0);
        kept k = { 0 };
        pawl_error err = { 0 };
        const pw_payload_source source = source_of(&k);
        pw_putting put = { .arena = &own, .list = &k.list };
        pw_alloc_fail_after(n);
        pw_payload_write(&buf, v, &put);
        const pw_known *known = pw_putting_end(&put), *read = NULL;
        pawl_code code = buf.failed || own.failed ? PAWL_NO_MEMORY : PAWL_OK;
        pw_value back = { 0 };
        if (code == PAWL_OK)
            code = pw_json_parse(&back, pw_buf_view(&buf), NULL, &own, &err);
        if (code == PAWL_OK)
            code = pw_payload_resolve(&back, &source, &read, &own, &err);
        pw_copying copying;
        if (code == PAWL_OK)
            code = pw_copying_init(&copying, known, &second, &err);
        if (code == PAWL_OK) {
            (void)pw_copying_copy(&copying, v);
            (void)pw_copying_done(&copying);
            code = second.failed ? PAWL_NO_MEMORY : PAWL_OK;
        }
        pw_alloc_fail_after(0);
        done = code == PAWL_OK;
        failures += !done;
        if (!done)
            EXPECT_INT(code, PAWL_NO_MEMORY);
        else
            EXPECT(pw_equal(back, v));
        pw_buf_done(&buf);
        pw_arena_done(&own);
        pw_arena_done(&second);
        EXPECT(n < 1000);
    }
    EXPECT(failures > 10);
}

TEST_MAIN()
