/* What YAML and JSON text becomes: the core schema, aliases and merges, JSON that libyaml cannot
 * read. */
#include <stdlib.h>
#include "fixture.h"

typedef struct scalar_case {
    const char *text, *json;
} scalar_case;

/* clang-format off */
static const scalar_case scalar_cases[] = {
    /* null */
    { "", "null" }, { "~", "null" }, { "null", "null" }, { "Null", "null" }, { "NULL", "null" },
    { "nUll", "\"nUll\"" }, { "'null'", "\"null\"" }, { "\"~\"", "\"~\"" }, { "none", "\"none\"" },
    /* booleans */
    { "true", "true" }, { "True", "true" }, { "TRUE", "true" }, { "false", "false" }, { "False", "false" },
    { "FALSE", "false" }, { "'true'", "\"true\"" }, { "tRue", "\"tRue\"" },
    { "yes", "\"yes\"" }, { "no", "\"no\"" }, { "on", "\"on\"" }, { "off", "\"off\"" }, { "y", "\"y\"" },
    { "n", "\"n\"" }, { "On", "\"On\"" }, { "NO", "\"NO\"" },
    /* integers */
    { "0", "0" }, { "1", "1" }, { "-1", "-1" }, { "+1", "1" }, { "-0", "-0" }, { "007", "7" }, { "0777", "777" },
    { "00", "0" }, { "-012", "-12" }, { "0x1F", "31" }, { "0xff", "255" }, { "0o17", "15" }, { "0o8", "\"0o8\"" },
    { "0xFFFFFFFFFFFFFFFF", "18446744073709551615" }, { "-0x1", "\"-0x1\"" }, { "0x", "\"0x\"" },
    { "0b11", "\"0b11\"" }, { "1_000", "\"1_000\"" }, { "1,000", "\"1,000\"" },
    { "12345678901234567890", "12345678901234567890" },
    { "123456789012345678901234567890", "123456789012345678901234567890" },
    { "'12'", "\"12\"" }, { "\"12\"", "\"12\"" }, { "12a", "\"12a\"" }, { "1 2", "\"1 2\"" },
    /* floats: what is JSON keeps its text */
    { "1.0", "1.0" }, { "1.50", "1.50" }, { "-1.5", "-1.5" }, { "+1.5", "1.5" }, { ".5", "0.5" }, { "-.5", "-0.5" },
    { "5.", "5" }, { "1e3", "1e3" }, { "1E3", "1E3" }, { "1.5e-3", "1.5e-3" }, { "1.e3", "1e3" }, { "01.5", "1.5" },
    { "+.5e+1", "0.5e+1" }, { "1e", "\"1e\"" }, { ".", "\".\"" }, { "e3", "\"e3\"" }, { "1.2.3", "\"1.2.3\"" },
    { "'.inf'", "\".inf\"" }, { ".infinity", "\".infinity\"" }, { "nan", "\"nan\"" }, { "inf", "\"inf\"" },
    /* not of 1.2 */
    { "1:30", "\"1:30\"" }, { "12:30:45", "\"12:30:45\"" }, { "2001-01-01", "\"2001-01-01\"" },
    { "2001-12-14T21:59:43.10-05:00", "\"2001-12-14T21:59:43.10-05:00\"" }, { "=", "\"=\"" },
    /* tags */
    { "!!str 3", "\"3\"" }, { "!!str true", "\"true\"" }, { "! 3", "\"3\"" }, { "!!int 3", "3" }, { "!!float 3", "3" },
    { "!!bool true", "true" }, { "!!null ~", "null" }, { "!!int '3'", "3" }, { "!!seq [ 1 ]", "[1]" },
    { "!!map { a: 1 }", "{\"a\":1}" },
    /* strings */
    { "a  b", "\"a  b\"" }, { "'it''s'", "\"it's\"" }, { "\"a\\tb\\x41\\u00e9\\U0001F600\\\"\\/\"", "\"a\\tbA\xc3\xa9\xf0\x9f\x98\x80\\\"/\"" },
    { "a: b", "{\"a\":\"b\"}" }, { "|\n      line\n       two\n", "\"line\\n two\\n\"" }, { ">-\n      a\n      b\n\n      c\n", "\"a b\\nc\"" },
    /* collections */
    { "[ 1, [ 2 ], { a: b } ]", "[1,[2],{\"a\":\"b\"}]" }, { "{}", "{}" }, { "[]", "[]" },
    { "{ 1: a, true: b, null: c, 1.50: d }", "{\"1\":\"a\",\"true\":\"b\",\"null\":\"c\",\"1.50\":\"d\"}" },
    { "{ on: 1, \"off\": 2, 'y': 3 }", "{\"on\":1,\"off\":2,\"y\":3}" },
    /* aliases and merges */
    { "[ &a 1, *a, *a ]", "[1,1,1]" }, { "[ &a { x: 1 }, *a ]", "[{\"x\":1},{\"x\":1}]" },
    { "[ &a 1, &a 2, *a ]", "[1,2,2]" },
    { "[ &a { x: 1, y: 2 }, { <<: *a, y: 3 } ]", "[{\"x\":1,\"y\":2},{\"y\":3,\"x\":1}]" },
    { "[ &a { x: 1 }, &b { x: 2, y: 2 }, { <<: [ *a, *b ], z: 3 } ]", "[{\"x\":1},{\"x\":2,\"y\":2},{\"z\":3,\"x\":1,\"y\":2}]" },
    { "{ '<<': 1 }", "{\"<<\":1}" },
};
/* clang-format on */

TEST(yaml, scalars_mean_what_the_core_schema_says)
{
    for (size_t i = 0; i < PW_LENGTH(scalar_cases); i++) {
        char text[1024];
        (void)snprintf(text, sizeof text,
                       "document:\n  dsl: 1.0.3\n  namespace: n\n  name: m\n  version: 1.0.0\n"
                       "  metadata:\n    value:%s%s\ndo: []\n",
                       strstr(scalar_cases[i].text, "a: b") == scalar_cases[i].text ? "\n      "
                                                                                    : " ",
                       scalar_cases[i].text);
        loaded l;
        load_text(&l, pw_str_of(text));
        if (l.code != PAWL_OK)
            fail_msg("%s: %s", scalar_cases[i].text, l.err.message);
        pw_value metadata = pw_get_lit(pw_get_lit(l.program->document, "document"), "metadata");
        const char *json = json_of(&l, pw_get_lit(metadata, "value"));
        if (strcmp(json, scalar_cases[i].json) != 0)
            fail_msg("%s: %s, not %s", scalar_cases[i].text, json, scalar_cases[i].json);
        unload(&l);
    }
}

static void expect_document(pw_str text, const char *json)
{
    loaded l;
    load_text(&l, text);
    EXPECT_OK(l.code, l.err);
    EXPECT_TEXT(json_of(&l, pw_get_lit(l.program->document, "x")), json);
    unload(&l);
}

#define JSON_HEAD                                                                                  \
    "\"document\":{\"dsl\":\"1.0.3\",\"namespace\":\"n\",\"name\":\"m\",\"version\":\"1.0.0\"},"   \
    "\"do\":[],"

TEST(json, what_libyaml_cannot_read_is_read)
{
    expect_document(PW_LIT("{" JSON_HEAD "\"x\": \"\\ud83d\\ude00\\/\\b\\u0000\"}"),
                    "\"\xf0\x9f\x98\x80/\\b\\u0000\"");
    expect_document(PW_LIT("\t\r\n{\t" JSON_HEAD "\t\"x\"\n\t:\t[\t1\t,\t2 ]\t}\n\t"), "[1,2]");
    expect_document(PW_LIT("{" JSON_HEAD "\"x\": [ true, false, null, -0, 1.50, 1e400, [], {} ] }"),
                    "[true,false,null,-0,1.50,1e400,[],{}]");
    expect_document(PW_LIT("{" JSON_HEAD "\"x\": \"\x7f\xef\xbf\xbe\" }"),
                    "\"\\u007f\xef\xbf\xbe\"");
}

TEST(json, keys_may_be_long)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, "{" JSON_HEAD "\"x\":{\"");
    for (int i = 0; i < 5000; i++)
        pw_buf_char(&buf, 'k');
    pw_buf_text(&buf, "\":1}}");
    loaded l;
    load_text(&l, pw_buf_view(&buf));
    EXPECT_OK(l.code, l.err);
    const pw_member *member = pw_members(pw_get_lit(l.program->document, "x"));
    EXPECT_INT(member->key.len, 5000);
    unload(&l);
    pw_buf_done(&buf);
}

TEST(json, words_that_yaml_knows_are_not_json)
{
    /* but the document is YAML then */
    expect_document(PW_LIT("{" JSON_HEAD "\"x\": [ True, ~, 0x10, plain ] }"),
                    "[true,null,16,\"plain\"]");
    expect_document(PW_LIT("{" JSON_HEAD "x: 1 # comment\n}"), "1");
}

TEST(yaml, a_directive_and_document_markers_are_fine)
{
    expect_document(PW_LIT("%YAML 1.2\n---\n" HEAD "do: []\nx: 1\n...\n"), "1");
}

TEST_MAIN()
