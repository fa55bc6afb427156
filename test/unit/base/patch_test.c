/* patch_test.c - JSON Pointer, JSON Patch, and the difference of two values. The examples named A.n
 * are those of RFC 6902's appendix, those of "pointers" RFC 6901's. */
#include "test.h"
#include "base/json.h"
#include "base/patch.h"

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

/* ---- pointers */

TEST(pointer, names_what_the_rfc_says)
{
    static const struct {
        const char *pointer, *found;
    } rows[] = {
        { "/foo", "[\"bar\",\"baz\"]" },
        { "/foo/0", "\"bar\"" },
        { "/", "0" },
        { "/a~1b", "1" },
        { "/c%d", "2" },
        { "/e^f", "3" },
        { "/g|h", "4" },
        { "/i\\j", "5" },
        { "/k\"l", "6" },
        { "/ ", "7" },
        { "/m~0n", "8" },
    };
    begin();
    pw_value v = read_json("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,"
                           "\"g|h\":4,\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8}");
    for (size_t i = 0; i < PW_LENGTH(rows); i++)
        EXPECT_TEXT(json(pw_pointer_get(v, pw_str_of(rows[i].pointer), &arena)), rows[i].found);
    EXPECT(pw_equal(pw_pointer_get(v, PW_LIT(""), &arena), v));
}

TEST(pointer, names_nothing_where_nothing_is_and_where_it_is_none)
{
    static const char *const rows[] = {
        "foo",
        "/bar",
        "/foo/2",
        "/foo/-",
        "/foo/00",
        "/foo/01",
        "/foo/a",
        "/foo/-1",
        "/foo/0/x",
        "/foo/4294967296",
        "/foo/99999999999",
        "/a~",
        "/a~2",
        "/foo/",
        "/foo/1e0",
        "/a/b",
    };
    begin();
    pw_value v = read_json("{\"foo\":[\"bar\",\"baz\"],\"a/b\":1,\"a~\":2,\"a~2\":3}");
    for (size_t i = 0; i < PW_LENGTH(rows); i++)
        if (pw_pointer_get(v, pw_str_of(rows[i]), &arena).type != PW_NONE)
            fail_msg("'%s' names something", rows[i]);
}

/* ---- what is applied */

typedef struct row {
    const char *what, *document, *patch;
    const char *result; /* NULL: refused with */
    const char *error;
} row;

static void check_row(const row *r)
{
    begin();
    pawl_error err = { 0 };
    pw_value v = read_json(r->document), out = pw_int(77);
    pawl_code code = pw_patch_apply(&out, v, read_json(r->patch), &arena, &err);
    if (r->result) {
        if (code != PAWL_OK)
            fail_msg("%s: %s", r->what, err.message);
        EXPECT_TEXT(json(out), r->result);
    } else {
        EXPECT_INT(code, PAWL_INVALID);
        EXPECT_TEXT(err.message, r->error);
        EXPECT_INT(out.as.integer, 77);
    }
    EXPECT_TEXT(json(v), r->document); /* as it was */
}

TEST(patch, does_what_the_examples_of_the_rfc_do)
{
    static const row rows[] = {
        { "A.1 add a member", "{\"foo\":\"bar\"}",
          "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
          "{\"foo\":\"bar\",\"baz\":\"qux\"}", NULL },
        { "A.2 add an element", "{\"foo\":[\"bar\",\"baz\"]}",
          "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
          "{\"foo\":[\"bar\",\"qux\",\"baz\"]}", NULL },
        { "A.3 remove a member", "{\"baz\":\"qux\",\"foo\":\"bar\"}",
          "[{\"op\":\"remove\",\"path\":\"/baz\"}]", "{\"foo\":\"bar\"}", NULL },
        { "A.4 remove an element", "{\"foo\":[\"bar\",\"qux\",\"baz\"]}",
          "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]", "{\"foo\":[\"bar\",\"baz\"]}", NULL },
        { "A.5 replace", "{\"baz\":\"qux\",\"foo\":\"bar\"}",
          "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]",
          "{\"baz\":\"boo\",\"foo\":\"bar\"}", NULL },
        { "A.6 move a value",
          "{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":\"grault\"}}",
          "[{\"op\":\"move\",\"from\":\"/foo/waldo\",\"path\":\"/qux/thud\"}]",
          "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"grault\",\"thud\":\"fred\"}}", NULL },
        { "A.7 move an element", "{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}",
          "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]",
          "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}", NULL },
        { "A.8 test: success", "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}",
          "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},"
          "{\"op\":\"test\",\"path\":\"/foo/1\",\"value\":2}]",
          "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}", NULL },
        { "A.9 test: error", "{\"baz\":\"qux\"}",
          "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"bar\"}]", NULL,
          "operation 0 of the patch: test '/baz': the test fails: what is there is something "
          "else" },
        { "A.10 add a nested object", "{\"foo\":\"bar\"}",
          "[{\"op\":\"add\",\"path\":\"/child\",\"value\":{\"grandchild\":{}}}]",
          "{\"foo\":\"bar\",\"child\":{\"grandchild\":{}}}", NULL },
        { "A.11 what is not known is ignored", "{\"foo\":\"bar\"}",
          "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\",\"xyz\":123}]",
          "{\"foo\":\"bar\",\"baz\":\"qux\"}", NULL },
        { "A.12 add to what is not there", "{\"foo\":\"bar\"}",
          "[{\"op\":\"add\",\"path\":\"/baz/bat\",\"value\":\"qux\"}]", NULL,
          "operation 0 of the patch: add '/baz/bat': the whole has no member 'baz'" },
        /* A.13: two members `op`: the last of them holds here, as everywhere */
        { "A.13 two ops", "{\"foo\":\"bar\"}",
          "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\",\"op\":\"remove\"}]", NULL,
          "operation 0 of the patch: remove '/baz': the whole has no member 'baz'" },
        { "A.14 ~ escapes", "{\"/\":9,\"~1\":10}",
          "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10}]", "{\"/\":9,\"~1\":10}", NULL },
        { "A.15 texts are no numbers", "{\"/\":9,\"~1\":10}",
          "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":\"10\"}]", NULL,
          "operation 0 of the patch: test '/~01': the test fails: what is there is of type number, "
          "not string" },
        { "A.16 add an array", "{\"foo\":[\"bar\"]}",
          "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[\"abc\",\"def\"]}]",
          "{\"foo\":[\"bar\",[\"abc\",\"def\"]]}", NULL },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++)
        check_row(&rows[i]);
}

TEST(patch, does_what_the_text_of_the_rfc_says)
{
    static const row rows[] = {
        { "nothing", "{\"a\":1}", "[]", "{\"a\":1}", NULL },
        { "the whole is replaced", "{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":[]}]",
          "[]", NULL },
        { "the whole is added", "1", "[{\"op\":\"add\",\"path\":\"\",\"value\":{\"a\":null}}]",
          "{\"a\":null}", NULL },
        { "the whole is tested", "{\"a\":[1,{\"b\":2}]}",
          "[{\"op\":\"test\",\"path\":\"\",\"value\":{\"a\":[1.0,{\"b\":2e0}]}}]",
          "{\"a\":[1,{\"b\":2}]}", NULL },
        { "the order of members is none", "{\"a\":1,\"b\":2}",
          "[{\"op\":\"test\",\"path\":\"\",\"value\":{\"b\":2,\"a\":1}}]", "{\"a\":1,\"b\":2}",
          NULL },
        { "add takes the place of a member", "{\"a\":1,\"b\":2}",
          "[{\"op\":\"add\",\"path\":\"/a\",\"value\":3}]", "{\"a\":3,\"b\":2}", NULL },
        { "add before the first and behind the last", "[1]",
          "[{\"op\":\"add\",\"path\":\"/0\",\"value\":0},{\"op\":\"add\",\"path\":\"/"
          "2\",\"value\":2}]",
          "[0,1,2]", NULL },
        { "copy", "{\"a\":{\"b\":[1]}}", "[{\"op\":\"copy\",\"from\":\"/a/b\",\"path\":\"/a/c\"}]",
          "{\"a\":{\"b\":[1],\"c\":[1]}}", NULL },
        { "copy of the whole into itself", "{\"a\":1}",
          "[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/"
          "b\"},{\"op\":\"copy\",\"from\":\"\",\"path\":\"/c\"}]",
          "{\"a\":1,\"b\":{\"a\":1},\"c\":{\"a\":1,\"b\":{\"a\":1}}}", NULL },
        { "a copy is changed alone", "{\"a\":[1]}",
          "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"},{\"op\":\"add\",\"path\":\"/b/"
          "-\",\"value\":2}]",
          "{\"a\":[1],\"b\":[1,2]}", NULL },
        { "move to where it is", "{\"a\":1,\"b\":2}",
          "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a\"}]", "{\"a\":1,\"b\":2}", NULL },
        { "move over another", "{\"a\":1,\"b\":2}",
          "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b\"}]", "{\"b\":1}", NULL },
        { "move out of itself", "{\"a\":{\"b\":1}}",
          "[{\"op\":\"move\",\"from\":\"/a/b\",\"path\":\"/a\"}]", "{\"a\":1}", NULL },
        { "move beside what begins alike", "{\"a\":1}",
          "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/ab\"}]", "{\"ab\":1}", NULL },
        { "move to the whole", "{\"a\":{\"b\":1}}",
          "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"\"}]", "{\"b\":1}", NULL },
        { "remove the only one", "{\"a\":[1]}", "[{\"op\":\"remove\",\"path\":\"/a/0\"}]",
          "{\"a\":[]}", NULL },
        { "remove from the middle of many",
          "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":10}",
          "[{\"op\":\"remove\",\"path\":\"/e\"},{\"op\":\"test\",\"path\":\"/j\",\"value\":10}]",
          "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":10}", NULL },
        { "the index of a member is its name", "{\"0\":{\"-\":1}}",
          "[{\"op\":\"replace\",\"path\":\"/0/-\",\"value\":2}]", "{\"0\":{\"-\":2}}", NULL },
        { "null is a value", "{\"a\":null}",
          "[{\"op\":\"test\",\"path\":\"/a\",\"value\":null},{\"op\":\"replace\",\"path\":\"/"
          "a\",\"value\":null}]",
          "{\"a\":null}", NULL },
        { "a number stays as it is written", "{\"a\":1.50,\"b\":12345678901234567890}",
          "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/c\"},{\"op\":\"add\",\"path\":\"/"
          "d\",\"value\":1e400}]",
          "{\"a\":1.50,\"b\":12345678901234567890,\"c\":1.50,\"d\":1e400}", NULL },
        { "what follows sees what went before", "{}",
          "[{\"op\":\"add\",\"path\":\"/a\",\"value\":{}},{\"op\":\"add\",\"path\":\"/a/"
          "b\",\"value\":[]},"
          "{\"op\":\"add\",\"path\":\"/a/b/-\",\"value\":7}]",
          "{\"a\":{\"b\":[7]}}", NULL },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++)
        check_row(&rows[i]);
}

TEST(patch, says_which_operation_is_wrong_and_changes_nothing)
{
    static const row rows[] = {
        { "no patch", "{}", "{\"op\":\"add\"}", NULL,
          "a JSON Patch is an array of operations, and this is of type object" },
        { "no operation", "{}", "[1]", NULL,
          "operation 0 of the patch: is of type number, not an object" },
        { "no op", "{}", "[{\"path\":\"\"}]", NULL,
          "operation 0 of the patch: 'op' is add, remove, replace, move, copy or test, not ''" },
        { "unknown", "{}", "[{\"op\":\"Add\",\"path\":\"/a\",\"value\":1}]", NULL,
          "operation 0 of the patch: 'op' is add, remove, replace, move, copy or test, not 'Add'" },
        { "no path", "{}", "[{\"op\":\"remove\"}]", NULL,
          "operation 0 of the patch: remove '': 'path' is missing" },
        { "path is a number", "{}", "[{\"op\":\"remove\",\"path\":1}]", NULL,
          "operation 0 of the patch: remove '': 'path' is no text" },
        { "no value", "{}", "[{\"op\":\"add\",\"path\":\"/a\"}]", NULL,
          "operation 0 of the patch: add '/a': 'value' is missing" },
        { "no value to test", "{}", "[{\"op\":\"test\",\"path\":\"\"}]", NULL,
          "operation 0 of the patch: test '': 'value' is missing" },
        { "no from", "{}", "[{\"op\":\"move\",\"path\":\"/a\"}]", NULL,
          "operation 0 of the patch: move '/a': 'from' is missing" },
        { "no pointer", "{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"a\"}]", NULL,
          "operation 0 of the patch: remove 'a': 'a' is no JSON pointer: it is empty, or begins "
          "with '/'" },
        { "no escape", "{\"a\":1}", "[{\"op\":\"copy\",\"from\":\"/a~\",\"path\":\"/b\"}]", NULL,
          "operation 0 of the patch: copy '/b': '/a~' is no JSON pointer: behind '~' stands 0 or "
          "1" },
        { "the third of three", "{\"a\":[1]}",
          "[{\"op\":\"add\",\"path\":\"/b\",\"value\":1},{\"op\":\"remove\",\"path\":\"/a/"
          "0\"},{\"op\":\"remove\",\"path\":\"/a/0\"}]",
          NULL, "operation 2 of the patch: remove '/a/0': /a has 0 elements, and none '0'" },
        { "replace what is not there", "{\"a\":1}",
          "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":1}]", NULL,
          "operation 0 of the patch: replace '/b': the whole has no member 'b'" },
        { "test what is not there", "{\"a\":{}}",
          "[{\"op\":\"test\",\"path\":\"/a/b\",\"value\":null}]", NULL,
          "operation 0 of the patch: test '/a/b': /a has no member 'b'" },
        { "the end is not there", "[1]", "[{\"op\":\"replace\",\"path\":\"/-\",\"value\":2}]", NULL,
          "operation 0 of the patch: replace '/-': the whole has 1 elements, and none '-'" },
        { "behind the end", "[1]", "[{\"op\":\"add\",\"path\":\"/2\",\"value\":2}]", NULL,
          "operation 0 of the patch: add '/2': the whole has 1 elements, and none '2'" },
        { "a leading zero", "[1,2]", "[{\"op\":\"add\",\"path\":\"/01\",\"value\":2}]", NULL,
          "operation 0 of the patch: add '/01': the whole has 2 elements, and none '01'" },
        { "inside a text", "{\"a\":\"x\"}", "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":2}]",
          NULL,
          "operation 0 of the patch: add '/a/b': /a is of type string, and has nothing inside" },
        { "the whole is removed", "{}", "[{\"op\":\"remove\",\"path\":\"\"}]", NULL,
          "operation 0 of the patch: remove '': the whole cannot be removed: replace it" },
        { "moved into itself", "{\"a\":{\"b\":1}}",
          "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]", NULL,
          "operation 0 of the patch: move '/a/b': nothing can be moved into itself" },
        { "the whole is moved into itself", "{\"a\":1}",
          "[{\"op\":\"move\",\"from\":\"\",\"path\":\"/a\"}]", NULL,
          "operation 0 of the patch: move '/a': nothing can be moved into itself" },
        { "moved from nowhere", "{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/b\",\"path\":\"/b\"}]",
          NULL, "operation 0 of the patch: move '/b': the whole has no member 'b'" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++)
        check_row(&rows[i]);
}

/* ---- limits */

static pw_value repeated(pw_value operation, size_t count)
{
    pw_array_builder b = { .arena = &arena };
    for (size_t i = 0; i < count; i++)
        pw_array_add(&b, operation);
    return pw_array_end(&b);
}

TEST(patch, has_so_many_operations_and_not_one_more)
{
    begin();
    pawl_error err = { 0 };
    pw_value out = { 0 }, op = read_json("{\"op\":\"replace\",\"path\":\"/a\",\"value\":2}");
    EXPECT_OK(pw_patch_apply(&out, read_json("{\"a\":1}"), repeated(op, 10000), &arena, &err), err);
    EXPECT_TEXT(json(out), "{\"a\":2}");
    EXPECT_INT(pw_patch_apply(&out, read_json("{\"a\":1}"), repeated(op, 10001), &arena, &err),
               PAWL_INVALID);
    EXPECT_TEXT(err.message, "a patch has at most 10000 operations, not 10001");
}

TEST(patch, that_doubles_the_document_again_and_again_is_refused)
{
    begin();
    pawl_error err = { 0 };
    pw_value out = { 0 };
    pw_value patch = repeated(read_json("{\"op\":\"copy\",\"from\":\"\",\"path\":\"/-\"}"), 100);
    EXPECT_INT(pw_patch_apply(&out, read_json("[1]"), patch, &arena, &err), PAWL_INVALID);
    EXPECT_CONTAINS(err.message,
                    "of the patch: copy '/-': up to here more than 64 MiB are copied");
}

TEST(patch, of_a_list_too_long_for_so_many_operations_is_refused)
{
    begin();
    pawl_error err = { 0 };
    pw_value out = { 0 }, list = repeated(pw_int(1), 100000);
    pw_value patch = repeated(read_json("{\"op\":\"add\",\"path\":\"/0\",\"value\":0}"), 1000);
    size_t before = arena.used;
    EXPECT_INT(pw_patch_apply(&out, list, patch, &arena, &err), PAWL_INVALID);
    EXPECT_CONTAINS(err.message, "up to here more than 64 MiB are copied");
    EXPECT(arena.used - before < PW_PATCH_BYTES_MAX + ((size_t)4 << 20));
}

/* [[[...[inner]...]]] */
static pw_value nested(pw_value inner, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        inner = pw_array(&arena, &inner, 1);
    return inner;
}

static pw_value put_at(const char *path, size_t times, pw_value value)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (size_t i = 0; i < times; i++)
        pw_buf_text(&buf, path);
    pw_value op =
        pw_object_of(&arena,
                     (pw_member[]){ { PW_LIT("op"), pw_string(&arena, PW_LIT("add")) },
                                    { PW_LIT("path"), pw_string(&arena, pw_buf_view(&buf)) },
                                    { PW_LIT("value"), value } },
                     3);
    pw_buf_done(&buf);
    return pw_array(&arena, &op, 1);
}

TEST(patch, reaches_as_deep_as_a_document_and_no_deeper)
{
    begin();
    pawl_error err = { 0 };
    pw_value out = { 0 }, empty = pw_array_ref(NULL, 0);
    pw_value v = nested(empty, PW_JSON_DEPTH_MAX - 2); /* levels: one more */
    EXPECT_OK(pw_patch_apply(&out, v, put_at("/0", PW_JSON_DEPTH_MAX - 1, empty), &arena, &err),
              err);
    EXPECT_INT(pw_depth(out, SIZE_MAX - 1), PW_JSON_DEPTH_MAX);
    EXPECT_INT(pw_patch_apply(&out, v, put_at("/0", PW_JSON_DEPTH_MAX - 1, nested(empty, 1)),
                              &arena, &err),
               PAWL_INVALID);
    EXPECT_TEXT(err.message, "the patch nests deeper than 10000 levels");
}

TEST(patch, without_memory_says_so_wherever_it_runs_out)
{
    begin();
    pw_value v = read_json("{\"a\":{\"b\":[1,2,3]},\"c\":{\"d\":4}}");
    pw_value patch = read_json("[{\"op\":\"add\",\"path\":\"/a/b/1\",\"value\":9},"
                               "{\"op\":\"move\",\"from\":\"/c/d\",\"path\":\"/a/b/-\"},"
                               "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/e~0\"},"
                               "{\"op\":\"remove\",\"path\":\"/a/b/0\"}]");
    size_t refused = 0;
    for (size_t limit = 1;; limit += 16) {
        pw_arena small;
        pawl_error err = { 0 };
        pw_value out = pw_int(77);
        pw_arena_init(&small, limit);
        pawl_code code = pw_patch_apply(&out, v, patch, &small, &err);
        if (code == PAWL_OK) {
            EXPECT_TEXT(json(out), "{\"a\":{\"b\":[9,2,3,4]},\"c\":{},\"e~\":{\"b\":[1,9,2,3,4]}}");
            pw_arena_done(&small);
            break;
        }
        EXPECT_INT(code, PAWL_NO_MEMORY);
        EXPECT_INT(out.as.integer, 77);
        refused++;
        pw_arena_done(&small);
    }
    EXPECT(refused > 20);
    refused = 0;
    for (size_t limit = 1;; limit += 16) {
        pw_arena small;
        pw_arena_init(&small, limit);
        pw_value diff =
            pw_patch_diff(v, read_json("{\"a\":{\"b\":[1,3]},\"c\":{\"d\":5,\"e/\":6}}"), &small);
        if (!pw_is(diff, PW_NONE)) {
            EXPECT_TEXT(json(diff), "[{\"op\":\"remove\",\"path\":\"/a/b/1\"},"
                                    "{\"op\":\"replace\",\"path\":\"/c/d\",\"value\":5},"
                                    "{\"op\":\"add\",\"path\":\"/c/e~1\",\"value\":6}]");
            pw_arena_done(&small);
            break;
        }
        refused++;
        pw_arena_done(&small);
    }
    EXPECT(refused > 5);
}

/* ---- difference */

TEST(diff, tells_what_is_different_and_no_more)
{
    static const struct {
        const char *from, *to, *patch;
    } rows[] = {
        { "{\"a\":1,\"b\":[1,{}]}", "{\"b\":[1.0,{}],\"a\":1e0}", "[]" },
        { "1", "2", "[{\"op\":\"replace\",\"path\":\"\",\"value\":2}]" },
        { "[]", "{}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":{}}]" },
        { "{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":1,\"c\":3}}",
          "[{\"op\":\"replace\",\"path\":\"/a/c\",\"value\":3}]" },
        { "{\"a\":1,\"b\":2}", "{\"c\":3,\"a\":null}",
          "[{\"op\":\"remove\",\"path\":\"/b\"},{\"op\":\"add\",\"path\":\"/c\",\"value\":3},"
          "{\"op\":\"replace\",\"path\":\"/a\",\"value\":null}]" },
        { "{\"a/b\":{\"~\":1}}", "{\"a/b\":{\"~\":2,\"\":3}}",
          "[{\"op\":\"replace\",\"path\":\"/a~1b/~0\",\"value\":2},{\"op\":\"add\",\"path\":\"/"
          "a~1b/\",\"value\":3}]" },
        { "[1,2,3,4]", "[1,3,4]", "[{\"op\":\"remove\",\"path\":\"/1\"}]" },
        { "[1,3,4]", "[1,2,3,4]", "[{\"op\":\"add\",\"path\":\"/1\",\"value\":2}]" },
        { "[]", "[1,2]",
          "[{\"op\":\"add\",\"path\":\"/0\",\"value\":1},{\"op\":\"add\",\"path\":\"/"
          "1\",\"value\":2}]" },
        { "[1,2]", "[]",
          "[{\"op\":\"remove\",\"path\":\"/1\"},{\"op\":\"remove\",\"path\":\"/0\"}]" },
        { "[7,7]", "[7,7,7]", "[{\"op\":\"add\",\"path\":\"/2\",\"value\":7}]" },
        { "[[1],{\"a\":[2]}]", "[[1,2],{\"a\":[3]}]",
          "[{\"op\":\"add\",\"path\":\"/0/1\",\"value\":2},{\"op\":\"replace\",\"path\":\"/1/a/"
          "0\",\"value\":3}]" },
        { "[0,1,2,3,4,5,6,7,8,9,10,11]", "[0,1,2,3,4,5,6,7,8,9,10,12]",
          "[{\"op\":\"replace\",\"path\":\"/11\",\"value\":12}]" },
        { "[1,2,3,9]", "[1,5,9]",
          "[{\"op\":\"remove\",\"path\":\"/2\"},{\"op\":\"replace\",\"path\":\"/"
          "1\",\"value\":5}]" },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        begin();
        pawl_error err = { 0 };
        pw_value from = read_json(rows[i].from), to = read_json(rows[i].to), out = { 0 };
        pw_value patch = pw_patch_diff(from, to, &arena);
        EXPECT_TEXT(json(patch), rows[i].patch);
        EXPECT_OK(pw_patch_apply(&out, from, patch, &arena, &err), err);
        EXPECT(pw_equal(out, to));
    }
}

TEST(diff, of_more_than_a_patch_may_hold_replaces_the_whole)
{
    begin();
    pw_value ones = repeated(pw_int(1), 10001), twos = repeated(pw_int(2), 10001), out = { 0 };
    pawl_error err = { 0 };
    pw_value patch = pw_patch_diff(ones, twos, &arena);
    EXPECT_INT(patch.count, 1);
    EXPECT_STR(pw_get_text(pw_item(patch, 0), "path"), "");
    EXPECT_OK(pw_patch_apply(&out, ones, patch, &arena, &err), err);
    EXPECT(pw_equal(out, twos));
    /* with fewer, but under a name that would stand in each of them */
    char name[4096];
    memset(name, 'n', sizeof name);
    const pw_member from = { { name, sizeof name }, repeated(pw_int(1), 5000) };
    const pw_member to = { { name, sizeof name }, repeated(pw_int(2), 5000) };
    patch = pw_patch_diff(pw_object_of(&arena, &from, 1), pw_object_of(&arena, &to, 1), &arena);
    EXPECT_INT(patch.count, 1);
}

TEST(diff, of_deep_values_is_found)
{
    begin();
    pawl_error err = { 0 };
    pw_value from = nested(pw_int(1), PW_JSON_DEPTH_MAX), to = nested(pw_int(2), PW_JSON_DEPTH_MAX);
    pw_value patch = pw_patch_diff(from, to, &arena), out = { 0 };
    EXPECT_INT(patch.count, 1);
    EXPECT_INT(pw_get_text(pw_item(patch, 0), "path").len, 2 * PW_JSON_DEPTH_MAX);
    EXPECT_OK(pw_patch_apply(&out, from, patch, &arena, &err), err);
    EXPECT(pw_equal(out, to));
}

/* ---- generated values */

static uint64_t seed;
static unsigned below(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed >> 11) % n);
}

static pw_value scalar(void)
{
    static const char *const some[] = {
        "null", "true",  "false",  "0", "1", "1.0", "-7", "1e3", "12345678901234567890",
        "\"\"", "\"a\"", "\"~/\"",
    };
    return read_json(some[below(PW_LENGTH(some))]);
}

static const char *const keys[] = {
    "a", "b", "/", "~", "~1", "", "0", "-", "k8", "k9", "k10", "k11"
};

static pw_value generated(unsigned depth)
{
    if (depth == 0 || below(4) == 0)
        return scalar();
    unsigned count = below(below(3) ? 4 : 12);
    if (below(2)) {
        pw_array_builder b = { .arena = &arena };
        for (unsigned i = 0; i < count; i++)
            pw_array_add(&b, generated(depth - 1));
        return pw_array_end(&b);
    }
    pw_object_builder b = { .arena = &arena };
    for (unsigned i = 0; i < count; i++)
        pw_object_add(&b, pw_str_of(keys[below(PW_LENGTH(keys))]), generated(depth - 1));
    return pw_object_end(&b);
}

/* The same, with something in it changed, put in or taken out. */
static pw_value changed(pw_value v, unsigned depth)
{
    if (depth == 0 || v.type < PW_ARRAY || below(6) == 0)
        return below(3) ? generated(1) : v;
    unsigned at = v.count ? below(v.count) : 0, what = below(3);
    if (pw_is(v, PW_OBJECT)) {
        pw_str key = v.count ? pw_members(v)[at].key : PW_LIT("a");
        if (what == 0)
            return pw_without(&arena, v, key);
        if (what == 1 || !v.count)
            return pw_with(&arena, v, pw_str_of(keys[below(PW_LENGTH(keys))]), generated(1));
        return pw_with(&arena, v, key, changed(pw_members(v)[at].value, depth - 1));
    }
    pw_array_builder b = { .arena = &arena };
    for (unsigned i = 0; i < v.count; i++) {
        if (i == at && what == 1)
            pw_array_add(&b, generated(1));
        if (i != at || what == 1)
            pw_array_add(&b, v.as.items[i]);
        else if (what == 2)
            pw_array_add(&b, changed(v.as.items[i], depth - 1));
    }
    return pw_array_end(&b);
}

TEST(diff, applied_to_the_one_gives_the_other)
{
    seed = 88172645463325252u;
    for (int round = 0; round < 3000; round++) {
        begin();
        pawl_error err = { 0 };
        pw_value from = generated(5), to = below(3) ? from : generated(5), out = { 0 };
        for (unsigned i = below(4); i > 0; i--)
            to = changed(to, 5);
        const char *before = json(from);
        pw_value patch = pw_patch_diff(from, to, &arena);
        EXPECT_INT(patch.count == 0, pw_equal(from, to));
        /* as text: what a caller gets */
        if (pw_patch_apply(&out, from, read_json(json(patch)), &arena, &err) != PAWL_OK)
            fail_msg("round %d: %s + %s: %s", round, before, json(patch), err.message);
        if (!pw_equal(out, to))
            fail_msg("round %d: %s + %s is %s, not %s", round, before, json(patch), json(out),
                     json(to));
        EXPECT_TEXT(json(from), before);
        EXPECT_TEXT(json(pw_patch_diff(from, to, &arena)), json(patch));
    }
}

TEST_MAIN()
