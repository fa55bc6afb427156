/* JSON Schema: what fits, what does not, where and why. Patterns are of expr, whose tests have them
 * too; here a pattern is text that must stand somewhere, or at the beginning with '^'. */
#include "test.h"
#include "base/json.h"
#include "base/schema.h"

static pawl_code find_text(void *context, pw_str pattern, pw_str text, bool *found, uint64_t *cost,
                           pawl_error *err)
{
    (void)context;
    *cost = 1;
    if (pw_str_is(pattern, "("))
        return pw_fail(err, PAWL_EXPRESSION, "no end of a group");
    bool start = pattern.len && pattern.ptr[0] == '^';
    pw_str part = { pattern.ptr + start, pattern.len - start };
    *found = start ? pw_str_starts(text, part)
                   : part.len == 0 || memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
    return PAWL_OK;
}

static pw_value json(pw_arena *arena, const char *text)
{
    pw_value v;
    pawl_error err;
    EXPECT_OK(pw_json_parse(&v, pw_str_of(text), NULL, arena, &err), err);
    return v;
}

typedef struct result {
    pawl_code code;
    char at[256], rule[256], message[600];
} result;

static void copy(char *out, size_t size, pw_str text)
{
    (void)snprintf(out, size, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
}

static result run(const char *schema, const char *value, uint64_t fuel)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_schema_problem problem = { 0 };
    pawl_error err = { .code = PAWL_OK };
    const pw_schema_settings settings = { .match = find_text, .fuel = fuel };
    result r = { 0 };
    pw_value s = json(&arena, schema);
    r.code = value ? pw_schema_validate(&problem, s, json(&arena, value), &settings, &arena, &err)
                   : pw_schema_check(&problem, s, &settings, &arena, &err);
    copy(r.at, sizeof r.at, problem.at);
    copy(r.rule, sizeof r.rule, problem.rule);
    copy(r.message, sizeof r.message, problem.message);
    pw_arena_done(&arena);
    return r;
}

typedef struct verdict {
    const char *value;
    bool fits;
} verdict;

static void expect_all(const char *schema, const verdict *verdicts, size_t count)
{
    result r = run(schema, NULL, 0);
    if (r.code != PAWL_OK)
        fail_msg("%s is no schema: %s %s", schema, r.at, r.message);
    for (size_t i = 0; i < count; i++) {
        r = run(schema, verdicts[i].value, 0);
        if (r.code != (verdicts[i].fits ? PAWL_OK : PAWL_INVALID))
            fail_msg("%s %s %s: %s %s %s", schema, verdicts[i].fits ? "refuses" : "takes",
                     verdicts[i].value, r.at, r.rule, r.message);
    }
}
#define EXPECT_ALL(schema, ...)                                                                    \
    do {                                                                                           \
        const verdict verdicts_[] = { __VA_ARGS__ };                                               \
        expect_all(schema, verdicts_, sizeof verdicts_ / sizeof verdicts_[0]);                     \
    } while (0)

static void expect_problem(const char *schema, const char *value, const char *at, const char *rule,
                           const char *message)
{
    result r = run(schema, value, 0);
    EXPECT_INT(r.code, PAWL_INVALID);
    EXPECT_TEXT(r.message, message);
    EXPECT_TEXT(r.at, at);
    EXPECT_TEXT(r.rule, rule);
}

/* ------------------------------------------------------------------ any value */

TEST(schema, true_and_an_empty_object_take_everything_and_false_nothing)
{
    EXPECT_ALL("true", { "1", 1 }, { "null", 1 }, { "{}", 1 });
    EXPECT_ALL("{}", { "1", 1 }, { "null", 1 }, { "[[]]", 1 });
    EXPECT_ALL("false", { "1", 0 }, { "null", 0 }, { "{}", 0 });
    EXPECT_ALL("{\"unknown\": 5, \"title\": \"x\", \"format\": \"email\"}", { "\"no mail\"", 1 });
}

TEST(schema, type)
{
    EXPECT_ALL("{\"type\":\"null\"}", { "null", 1 }, { "false", 0 }, { "0", 0 }, { "\"\"", 0 });
    EXPECT_ALL("{\"type\":\"boolean\"}", { "true", 1 }, { "false", 1 }, { "null", 0 }, { "1", 0 });
    EXPECT_ALL("{\"type\":\"number\"}", { "1", 1 }, { "1.5", 1 }, { "1e400", 1 }, { "\"1\"", 0 });
    EXPECT_ALL("{\"type\":\"string\"}", { "\"\"", 1 }, { "1", 0 }, { "[]", 0 });
    EXPECT_ALL("{\"type\":\"array\"}", { "[]", 1 }, { "{}", 0 });
    EXPECT_ALL("{\"type\":\"object\"}", { "{}", 1 }, { "[]", 0 });
    EXPECT_ALL("{\"type\":[\"string\",\"null\"]}", { "\"x\"", 1 }, { "null", 1 }, { "1", 0 });
}

TEST(schema, an_integer_is_a_number_without_a_fraction)
{
    EXPECT_ALL("{\"type\":\"integer\"}", { "1", 1 }, { "-1", 1 }, { "1.0", 1 }, { "1e2", 1 },
               { "1.50e1", 1 }, { "12345678901234567890123", 1 }, { "1e400", 1 }, { "0.0", 1 },
               { "1.5", 0 }, { "1e-1", 0 }, { "12345678901234567890123.5", 0 }, { "\"1\"", 0 },
               { "0e-5", 1 }, { "10e-1", 1 });
}

TEST(schema, enum_and_const_compare_by_value)
{
    EXPECT_ALL("{\"enum\":[1,\"a\",null,{\"a\":[1]}]}", { "1", 1 }, { "1.0", 1 }, { "\"a\"", 1 },
               { "null", 1 }, { "{\"a\":[1.0]}", 1 }, { "false", 0 }, { "\"A\"", 0 }, { "{}", 0 });
    EXPECT_ALL("{\"const\":{\"a\":1,\"b\":2}}", { "{\"b\":2,\"a\":1}", 1 }, { "{\"a\":1}", 0 });
    EXPECT_ALL("{\"const\":null}", { "null", 1 }, { "0", 0 });
    EXPECT_ALL("{\"const\":false}", { "false", 1 }, { "0", 0 }, { "null", 0 });
    EXPECT_ALL("{\"const\":9007199254740993}", { "9007199254740993", 1 },
               { "9007199254740992", 0 });
    EXPECT_ALL("{\"enum\":[]}", { "1", 0 });
}

/* ------------------------------------------------------------------ numbers */

TEST(schema, bounds_of_numbers)
{
    EXPECT_ALL("{\"minimum\":1.5}", { "1.5", 1 }, { "2", 1 }, { "1.4999", 0 }, { "\"x\"", 1 });
    EXPECT_ALL("{\"maximum\":300}", { "300.0", 1 }, { "300.00000000000001", 0 }, { "-1e400", 1 });
    EXPECT_ALL("{\"exclusiveMinimum\":0}", { "0", 0 }, { "1e-400", 1 }, { "-1", 0 });
    EXPECT_ALL("{\"exclusiveMaximum\":3}", { "3", 0 }, { "2.9", 1 });
    EXPECT_ALL("{\"minimum\":9007199254740993}", { "9007199254740992", 0 },
               { "9007199254740993", 1 });
}

TEST(schema, multiples_are_exact)
{
    EXPECT_ALL("{\"multipleOf\":2}", { "4", 1 }, { "-4", 1 }, { "0", 1 }, { "7", 0 }, { "2.5", 0 },
               { "null", 1 });
    EXPECT_ALL("{\"multipleOf\":0.01}", { "19.99", 1 }, { "4.35", 1 }, { "0.0075", 0 },
               { "1e3", 1 }, { "4.350", 1 });
    EXPECT_ALL("{\"multipleOf\":1.5}", { "4.5", 1 }, { "35", 0 }, { "0", 1 });
    EXPECT_ALL("{\"multipleOf\":1e-8}", { "12391239123", 1 });
    EXPECT_ALL("{\"multipleOf\":100}", { "1e2", 1 }, { "150", 0 }, { "1e30", 1 }, { "10", 0 });
    EXPECT_ALL("{\"multipleOf\":7}", { "12345678901234567890123", 0 },
               { "12345678901234567890122", 0 }, { "86419752308641975230861", 1 },
               { "700000000000000000000000", 1 });
    EXPECT_ALL("{\"multipleOf\":0.3}", { "0.9", 1 }, { "1.0", 0 });
    EXPECT_ALL("{\"multipleOf\":123456789012345678901}", { "123456789012345678901", 1 });
}

/* ------------------------------------------------------------------ strings */

TEST(schema, lengths_count_characters)
{
    EXPECT_ALL("{\"minLength\":2,\"maxLength\":3}", { "\"a\"", 0 }, { "\"ab\"", 1 },
               { "\"abcd\"", 0 }, { "\"\\u00e4\\u00f6\"", 1 }, { "\"\\ud83d\\ude00\"", 0 },
               { "\"\\ud83d\\ude00\\ud83d\\ude00\\ud83d\\ude00\"", 1 }, { "[1,2,3,4]", 1 });
    EXPECT_ALL("{\"minLength\":2.0}", { "\"a\"", 0 }, { "\"ab\"", 1 });
}

TEST(schema, patterns_are_not_anchored)
{
    EXPECT_ALL("{\"pattern\":\"b\"}", { "\"abc\"", 1 }, { "\"ac\"", 0 }, { "12", 1 });
    EXPECT_ALL("{\"pattern\":\"^b\"}", { "\"abc\"", 0 }, { "\"bc\"", 1 });
}

/* ------------------------------------------------------------------ arrays */

TEST(schema, items_and_prefix_items)
{
    EXPECT_ALL("{\"items\":{\"type\":\"integer\"}}", { "[1,2]", 1 }, { "[1,\"x\"]", 0 },
               { "[]", 1 }, { "{\"0\":\"x\"}", 1 });
    EXPECT_ALL("{\"items\":false}", { "[]", 1 }, { "[1]", 0 });
    EXPECT_ALL("{\"prefixItems\":[{\"type\":\"integer\"},{\"type\":\"string\"}]}",
               { "[1,\"a\"]", 1 }, { "[1]", 1 }, { "[]", 1 }, { "[\"a\",1]", 0 },
               { "[1,\"a\",null]", 1 });
    EXPECT_ALL("{\"prefixItems\":[{}],\"items\":{\"type\":\"integer\"}}", { "[\"a\",1,2]", 1 },
               { "[\"a\",\"b\"]", 0 });
}

TEST(schema, items_of_older_drafts)
{
    EXPECT_ALL("{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"items\":[{\"type\":"
               "\"integer\"},{}],\"additionalItems\":false}",
               { "[1,2]", 1 }, { "[1]", 1 }, { "[\"a\"]", 0 }, { "[1,2,3]", 0 });
    EXPECT_ALL("{\"items\":[{}],\"additionalItems\":{\"type\":\"string\"}}", { "[1,\"a\"]", 1 },
               { "[1,2]", 0 });
    EXPECT_ALL("{\"items\":{},\"additionalItems\":false}",
               { "[1,2]", 1 }); /* it has no meaning here */
}

TEST(schema, counts_of_items)
{
    EXPECT_ALL("{\"minItems\":1,\"maxItems\":2}", { "[]", 0 }, { "[1]", 1 }, { "[1,2]", 1 },
               { "[1,2,3]", 0 }, { "\"\"", 1 });
}

TEST(schema, unique_items)
{
    EXPECT_ALL("{\"uniqueItems\":true}", { "[1,2]", 1 }, { "[1,1.0]", 0 }, { "[1,true]", 1 },
               { "[0,false]", 1 }, { "[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1}]", 0 },
               { "[[1],[2],[1]]", 0 }, { "[\"a\",\"b\",\"a\"]", 0 }, { "[]", 1 },
               { "[null,null]", 0 }, { "[{\"a\":false},{\"a\":0}]", 1 },
               { "[9007199254740993,9007199254740992]", 1 });
    EXPECT_ALL("{\"uniqueItems\":false}", { "[1,1]", 1 });
}

TEST(schema, contains)
{
    EXPECT_ALL("{\"contains\":{\"minimum\":5}}", { "[3,4,5]", 1 }, { "[3]", 0 }, { "[]", 0 },
               { "{}", 1 });
    EXPECT_ALL("{\"contains\":{\"const\":1},\"minContains\":2,\"maxContains\":3}", { "[1]", 0 },
               { "[1,1]", 1 }, { "[1,2,1,1]", 1 }, { "[1,1,1,1]", 0 });
    EXPECT_ALL("{\"contains\":{\"const\":1},\"minContains\":0}", { "[]", 1 }, { "[2]", 1 });
    EXPECT_ALL("{\"minContains\":2}", { "[1]", 1 }); /* without contains it has no meaning */
    EXPECT_ALL("{\"contains\":false}", { "[]", 0 }, { "[1]", 0 });
}

/* ------------------------------------------------------------------ objects */

TEST(schema, required_and_counts_of_members)
{
    EXPECT_ALL("{\"required\":[\"a\",\"b\"]}", { "{\"a\":1,\"b\":null}", 1 }, { "{\"a\":1}", 0 },
               { "[]", 1 }, { "1", 1 });
    EXPECT_ALL("{\"minProperties\":1,\"maxProperties\":2}", { "{}", 0 }, { "{\"a\":1}", 1 },
               { "{\"a\":1,\"b\":1,\"c\":1}", 0 });
    EXPECT_ALL("{\"required\":[\"__proto__\",\"a\\nb\"]}", { "{\"__proto__\":1,\"a\\nb\":1}", 1 },
               { "{\"__proto__\":1}", 0 });
}

TEST(schema, properties_patterns_and_the_others)
{
    EXPECT_ALL("{\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":false}}", { "{\"a\":1}", 1 },
               { "{\"a\":\"x\"}", 0 }, { "{\"b\":1}", 0 }, { "{\"c\":1}", 1 }, { "[1]", 1 });
    EXPECT_ALL("{\"properties\":{\"a\":{}},\"patternProperties\":{\"^x\":{\"type\":\"integer\"}},"
               "\"additionalProperties\":{\"type\":\"string\"}}",
               { "{\"a\":null,\"x1\":1,\"z\":\"s\"}", 1 }, { "{\"x1\":\"s\"}", 0 },
               { "{\"z\":1}", 0 });
    EXPECT_ALL(
        "{\"properties\":{\"x\":{\"minimum\":3}},\"patternProperties\":{\"x\":{\"maximum\":5}}}",
        { "{\"x\":4}", 1 }, { "{\"x\":2}", 0 }, { "{\"x\":6}", 0 });
    EXPECT_ALL("{\"additionalProperties\":false}", { "{}", 1 }, { "{\"a\":1}", 0 });
}

TEST(schema, property_names)
{
    EXPECT_ALL("{\"propertyNames\":{\"maxLength\":2}}", { "{\"ab\":1}", 1 }, { "{\"abc\":1}", 0 },
               { "{}", 1 }, { "[\"abc\"]", 1 });
    EXPECT_ALL("{\"propertyNames\":{\"enum\":[\"a\"]}}", { "{\"a\":1}", 1 }, { "{\"b\":1}", 0 });
}

TEST(schema, dependents)
{
    EXPECT_ALL("{\"dependentRequired\":{\"a\":[\"b\",\"c\"],\"x\":[]}}", { "{}", 1 },
               { "{\"b\":1}", 1 }, { "{\"a\":1,\"b\":1}", 0 }, { "{\"a\":1,\"b\":1,\"c\":1}", 1 },
               { "{\"x\":1}", 1 });
    EXPECT_ALL("{\"dependentSchemas\":{\"a\":{\"required\":[\"b\"]},\"n\":false}}",
               { "{\"a\":1}", 0 }, { "{\"a\":1,\"b\":1}", 1 }, { "{\"n\":1}", 0 }, { "{}", 1 });
    EXPECT_ALL("{\"dependencies\":{\"a\":[\"b\"],\"c\":{\"minProperties\":2}}}", { "{\"a\":1}", 0 },
               { "{\"a\":1,\"b\":1}", 1 }, { "{\"c\":1}", 0 }, { "{\"c\":1,\"d\":1}", 1 });
}

/* ------------------------------------------------------------------ several schemas */

TEST(schema, all_any_one_not)
{
    EXPECT_ALL("{\"allOf\":[{\"minimum\":1},{\"maximum\":3}]}", { "2", 1 }, { "0", 0 }, { "4", 0 });
    EXPECT_ALL("{\"anyOf\":[{\"type\":\"integer\"},{\"minimum\":2}]}", { "1", 1 }, { "2.5", 1 },
               { "3", 1 }, { "1.5", 0 });
    EXPECT_ALL("{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":2}]}", { "1", 1 }, { "2.5", 1 },
               { "3", 0 }, { "1.5", 0 });
    EXPECT_ALL("{\"not\":{\"type\":\"integer\"}}", { "1", 0 }, { "1.5", 1 });
    EXPECT_ALL("{\"not\":{\"not\":{\"required\":[\"a\"]}}}", { "{}", 0 }, { "{\"a\":1}", 1 });
    EXPECT_ALL("{\"allOf\":[true,false]}", { "1", 0 });
    EXPECT_ALL("{\"oneOf\":[true,true,false]}", { "1", 0 });
}

TEST(schema, if_then_else)
{
    EXPECT_ALL(
        "{\"if\":{\"exclusiveMaximum\":0},\"then\":{\"minimum\":-10},\"else\":{\"multipleOf\":2}}",
        { "-1", 1 }, { "-100", 0 }, { "4", 1 }, { "3", 0 });
    EXPECT_ALL("{\"if\":{\"const\":0}}", { "0", 1 }, { "1", 1 });
    EXPECT_ALL("{\"then\":false,\"else\":false}", { "0", 1 }); /* without if they have no meaning */
    EXPECT_ALL("{\"if\":true,\"else\":false,\"then\":{\"const\":1}}", { "1", 1 }, { "2", 0 });
}

/* ------------------------------------------------------------------ references */

TEST(schema, references_by_pointer)
{
    EXPECT_ALL("{\"$defs\":{\"n\":{\"type\":\"integer\"}},\"properties\":{\"a\":{\"$ref\":\"#/"
               "$defs/n\"}}}",
               { "{\"a\":1}", 1 }, { "{\"a\":\"x\"}", 0 });
    EXPECT_ALL("{\"definitions\":{\"n\":{\"type\":\"integer\"}},\"$ref\":\"#/definitions/n\"}",
               { "1", 1 }, { "\"x\"", 0 });
    EXPECT_ALL(
        "{\"$defs\":{\"a/"
        "b\":{\"type\":\"integer\"},\"c~d\":{\"type\":\"string\"},\"e%f\":{\"type\":"
        "\"null\"}},\"prefixItems\":[{\"$ref\":\"#/$defs/a~1b\"},{\"$ref\":\"#/$defs/c~0d\"},"
        "{\"$ref\":\"#/$defs/e%25f\"}]}",
        { "[1,\"x\",null]", 1 }, { "[\"x\"]", 0 }, { "[1,1]", 0 }, { "[1,\"x\",1]", 0 });
    EXPECT_ALL("{\"prefixItems\":[{\"type\":\"integer\"},{\"$ref\":\"#/prefixItems/0\"}]}",
               { "[1,2]", 1 }, { "[1,\"x\"]", 0 });
    EXPECT_ALL("{\"$ref\":\"#/x-own/place\",\"x-own\":{\"place\":{\"maximum\":3}}}", { "3", 1 },
               { "4", 0 });
    EXPECT_ALL(
        "{\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\"b\":{\"$ref\":\"#/$defs/c\"},\"c\":{\"type\":"
        "\"integer\"}},\"$ref\":\"#/$defs/a\"}",
        { "1", 1 }, { "\"x\"", 0 });
    EXPECT_ALL(
        "{\"$defs\":{\"t\":true,\"f\":false},\"properties\":{\"a\":{\"$ref\":\"#/$defs/t\"},\"b\":"
        "{\"$ref\":\"#/$defs/f\"}}}",
        { "{\"a\":1}", 1 }, { "{\"b\":1}", 0 });
}

TEST(schema, what_stands_beside_a_reference_holds_too)
{
    EXPECT_ALL("{\"$defs\":{\"a\":{\"type\":\"array\"}},\"$ref\":\"#/$defs/a\",\"maxItems\":2}",
               { "[1,2]", 1 }, { "[1,2,3]", 0 }, { "1", 0 });
}

TEST(schema, references_by_anchor_and_to_the_whole)
{
    EXPECT_ALL("{\"$ref\":\"#num\",\"$defs\":{\"a\":{\"$anchor\":\"num\",\"type\":\"integer\"}}}",
               { "1", 1 }, { "\"x\"", 0 });
    EXPECT_ALL("{\"$dynamicRef\":\"#num\",\"$defs\":{\"a\":{\"$dynamicAnchor\":\"num\",\"type\":"
               "\"integer\"}}}",
               { "1", 1 }, { "\"x\"", 0 });
    EXPECT_ALL("{\"properties\":{\"child\":{\"$ref\":\"#\"}},\"additionalProperties\":false}",
               { "{\"child\":{\"child\":{}}}", 1 }, { "{\"child\":{\"other\":1}}", 0 });
    EXPECT_ALL("{\"$id\":\"http://x/y.json\",\"properties\":{\"a\":{\"$ref\":\"http://x/y.json#/"
               "$defs/n\"},"
               "\"b\":{\"$ref\":\"http://x/y.json\"}},\"$defs\":{\"n\":{\"type\":\"integer\"}}}",
               { "{\"a\":1,\"b\":{\"a\":2}}", 1 }, { "{\"b\":{\"a\":\"x\"}}", 0 });
    /* an anchor within a constant is none */
    result r = run("{\"$ref\":\"#n\",\"const\":{\"$anchor\":\"n\"}}", NULL, 0);
    EXPECT_INT(r.code, PAWL_INVALID);
}

TEST(schema, a_tree_refers_to_itself)
{
    static const char schema[] = "{\"$defs\":{\"node\":{\"type\":\"object\",\"required\":[\"v\"],"
                                 "\"properties\":{\"v\":{\"type\":"
                                 "\"number\"},\"kids\":{\"items\":{\"$ref\":\"#/$defs/"
                                 "node\"}}}}},\"$ref\":\"#/$defs/node\"}";
    EXPECT_ALL(schema, { "{\"v\":1,\"kids\":[{\"v\":2,\"kids\":[{\"v\":3}]}]}", 1 },
               { "{\"v\":1,\"kids\":[{\"v\":2,\"kids\":[{\"v\":\"x\"}]}]}", 0 });
    expect_problem(schema, "{\"v\":1,\"kids\":[{\"v\":2},{\"v\":2,\"kids\":[{}]}]}",
                   "/kids/1/kids/0",
                   "/$ref/properties/kids/items/$ref/properties/kids/items/$ref/required",
                   "must have the member \"v\"");
}

/* ------------------------------------------------------------------ unevaluated */

TEST(schema, unevaluated_properties_see_through_schemas_of_the_same_value)
{
    EXPECT_ALL("{\"properties\":{\"a\":{}},\"allOf\":[{\"properties\":{\"b\":{}}}],"
               "\"unevaluatedProperties\":"
               "false}",
               { "{\"a\":1,\"b\":1}", 1 }, { "{\"c\":1}", 0 });
    EXPECT_ALL("{\"$defs\":{\"x\":{\"properties\":{\"b\":{}}}},\"$ref\":\"#/$defs/"
               "x\",\"unevaluatedProperties\":"
               "false}",
               { "{\"b\":1}", 1 }, { "{\"c\":1}", 0 });
    EXPECT_ALL("{\"anyOf\":[{\"properties\":{\"a\":{\"const\":1}},\"required\":[\"a\"]},{"
               "\"properties\":{\"b\":"
               "{}},\"required\":[\"b\"]}],\"unevaluatedProperties\":false}",
               { "{\"a\":1}", 1 }, { "{\"a\":1,\"b\":1}", 1 }, { "{\"a\":2,\"b\":1}", 0 });
    EXPECT_ALL(
        "{\"oneOf\":[{\"properties\":{\"a\":{}},\"required\":[\"a\"]},{\"properties\":{\"b\":{}},"
        "\"required\":[\"b\"]}],\"unevaluatedProperties\":false}",
        { "{\"a\":1}", 1 }, { "{\"b\":1}", 1 }, { "{\"a\":1,\"c\":1}", 0 });
    EXPECT_ALL("{\"if\":{\"properties\":{\"a\":{\"const\":1}},\"required\":[\"a\"]},\"then\":{"
               "\"properties\":{\"b\":"
               "{}}},\"else\":{\"properties\":{\"c\":{}}},\"unevaluatedProperties\":false}",
               { "{\"a\":1,\"b\":1}", 1 }, { "{\"c\":1}", 1 }, { "{\"a\":1,\"c\":1}", 0 },
               { "{\"a\":2,\"c\":1}", 0 });
    EXPECT_ALL("{\"not\":{\"not\":{\"properties\":{\"a\":{}}}},\"unevaluatedProperties\":false}",
               { "{\"a\":1}", 0 });
    EXPECT_ALL("{\"dependentSchemas\":{\"a\":{\"properties\":{\"a\":{},\"b\":{}}}},"
               "\"unevaluatedProperties\":"
               "false}",
               { "{\"a\":1,\"b\":1}", 1 }, { "{\"b\":1}", 0 });
    EXPECT_ALL(
        "{\"patternProperties\":{\"^x\":{}},\"unevaluatedProperties\":{\"type\":\"integer\"}}",
        { "{\"x\":\"s\",\"n\":1}", 1 }, { "{\"n\":\"s\"}", 0 });
    EXPECT_ALL("{\"additionalProperties\":{},\"unevaluatedProperties\":false}", { "{\"a\":1}", 1 });
}

TEST(schema, unevaluated_properties_are_of_the_innermost_that_asks)
{
    EXPECT_ALL("{\"allOf\":[{\"properties\":{\"a\":{}},\"unevaluatedProperties\":false}],"
               "\"properties\":{\"b\":"
               "{}}}",
               { "{\"a\":1}", 1 }, { "{\"b\":1}", 0 });
    EXPECT_ALL("{\"allOf\":[{\"properties\":{\"a\":{}},\"unevaluatedProperties\":true}],"
               "\"unevaluatedProperties\":false}",
               { "{\"a\":1,\"b\":1}", 1 });
    EXPECT_ALL(
        "{\"properties\":{\"in\":{\"properties\":{\"a\":{}}}},\"unevaluatedProperties\":false}",
        { "{\"in\":{\"z\":1}}", 1 }, { "{\"z\":1}", 0 });
}

TEST(schema, unevaluated_items)
{
    EXPECT_ALL("{\"prefixItems\":[{}],\"unevaluatedItems\":false}", { "[1]", 1 }, { "[1,2]", 0 },
               { "{}", 1 });
    EXPECT_ALL(
        "{\"prefixItems\":[{}],\"allOf\":[{\"prefixItems\":[{},{}]}],\"unevaluatedItems\":false}",
        { "[1,2]", 1 }, { "[1,2,3]", 0 });
    EXPECT_ALL("{\"contains\":{\"type\":\"string\"},\"unevaluatedItems\":{\"type\":\"integer\"}}",
               { "[1,\"a\",2]", 1 }, { "[\"a\",null]", 0 });
    EXPECT_ALL("{\"items\":{},\"unevaluatedItems\":false}", { "[1,2]", 1 });
    EXPECT_ALL(
        "{\"anyOf\":[{\"prefixItems\":[{\"const\":1}]},{\"prefixItems\":[{},{\"const\":2}]}],"
        "\"unevaluatedItems\":false}",
        { "[1]", 1 }, { "[1,2]", 1 }, { "[5,2]", 1 }, { "[1,3]", 0 });
}

TEST(schema, more_than_64_members_are_marked)
{
    char value[2048];
    size_t n = 0;
    for (int i = 0; i < 130; i++)
        n += (size_t)snprintf(value + n, sizeof value - n, "%s\"p%d\":%d", i ? "," : "{", i, i);
    (void)snprintf(value + n, sizeof value - n, "}");
    EXPECT_INT(
        run("{\"patternProperties\":{\"^p\":{}},\"unevaluatedProperties\":false}", value, 0).code,
        PAWL_OK);
    (void)snprintf(value + n, sizeof value - n, ",\"q\":1}");
    result r = run("{\"patternProperties\":{\"^p\":{}},\"unevaluatedProperties\":false}", value, 0);
    EXPECT_TEXT(r.at, "/q");
}

/* ------------------------------------------------------------------ words */

TEST(schema, the_first_thing_that_does_not_fit_is_told_with_its_place)
{
    static const struct {
        const char *schema, *value, *at, *rule, *message;
    } cases[] = {
        { "{\"type\":\"string\"}", "1", "", "/type", "must be a string, not 1" },
        { "{\"type\":[\"integer\",\"null\"]}", "1.5", "", "/type",
          "must be an integer or null, not 1.5" },
        { "{\"type\":\"array\"}", "{}", "", "/type", "must be an array, not an object" },
        { "{\"enum\":[1,2]}", "\"x\"", "", "/enum", "must be one of [1,2], not \"x\"" },
        { "{\"const\":\"a\"}", "\"b\"", "", "/const", "must be \"a\", not \"b\"" },
        { "{\"minimum\":18}", "17", "", "/minimum", "must be at least 18, not 17" },
        { "{\"exclusiveMinimum\":18}", "18", "", "/exclusiveMinimum",
          "must be more than 18, not 18" },
        { "{\"maximum\":1}", "1.50", "", "/maximum", "must be at most 1, not 1.50" },
        { "{\"exclusiveMaximum\":1}", "1", "", "/exclusiveMaximum", "must be less than 1, not 1" },
        { "{\"multipleOf\":2}", "3", "", "/multipleOf", "must be a multiple of 2, not 3" },
        { "{\"minLength\":3}", "\"ab\"", "", "/minLength",
          "must have 3 or more characters, not 2" },
        { "{\"maxItems\":1}", "[1,2]", "", "/maxItems", "must have 1 or fewer items, not 2" },
        { "{\"minProperties\":1}", "{}", "", "/minProperties",
          "must have 1 or more members, not 0" },
        { "{\"pattern\":\"^a\"}", "\"b\"", "", "/pattern",
          "must match the pattern \"^a\", not be \"b\"" },
        { "{\"uniqueItems\":true}", "[3,1,3]", "", "/uniqueItems",
          "must have no two equal items, as 0 and 2 are" },
        { "{\"contains\":{\"const\":1}}", "[2]", "", "/contains",
          "must have 1 or more items that fit 'contains', not 0" },
        { "{\"contains\":true,\"maxContains\":1}", "[2,3]", "", "/maxContains",
          "must have 1 or fewer items that fit 'contains', not 2" },
        { "{\"required\":[\"a\"]}", "{}", "", "/required", "must have the member \"a\"" },
        { "{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}", "", "/dependentRequired/a",
          "must have the member \"b\", because it has \"a\"" },
        { "{\"additionalProperties\":false}", "{\"x\":1}", "/x", "/additionalProperties",
          "is not allowed" },
        { "{\"propertyNames\":{\"maxLength\":1}}", "{\"ab\":1}", "", "/propertyNames",
          "has the member \"ab\", whose name does not fit" },
        { "{\"not\":{}}", "1", "", "/not", "must not fit the schema of 'not'" },
        { "{\"oneOf\":[{},{\"minimum\":0}]}", "1", "", "/oneOf",
          "must fit only one of the schemas of 'oneOf', and fits 0 and 1" },
        { "{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "1", "", "/anyOf",
          "must fit one of the 2 schemas of 'anyOf', and fits none" },
        { "{\"anyOf\":[{\"type\":\"string\"},{\"properties\":{\"a\":{\"type\":\"string\"}}}]}",
          "{\"a\":1}", "/a", "/anyOf/1/properties/a/type", "must be a string, not 1" },
        { "{\"properties\":{\"a/b\":{\"items\":{\"properties\":{\"c~d\":{\"type\":\"null\"}}}}}}",
          "{\"a/b\":[{},{\"c~d\":true}]}", "/a~1b/1/c~0d",
          "/properties/a~1b/items/properties/c~0d/type", "must be null, not a boolean" },
        { "{\"prefixItems\":[true,{\"type\":\"string\"}]}", "[1,2]", "/1", "/prefixItems/1/type",
          "must be a string, not 2" },
        { "{\"allOf\":[true,{\"$ref\":\"#/$defs/x\"}],\"$defs\":{\"x\":{\"minimum\":5}}}", "1", "",
          "/allOf/1/$ref/minimum", "must be at least 5, not 1" },
        { "{\"if\":true,\"then\":{\"const\":1}}", "2", "", "/then/const", "must be 1, not 2" },
        { "{\"const\":1}",
          "\"01234567890123456789012345678901234567890123456789012345678901234567890123456789012345"
          "67\"",
          "", "/const",
          "must be 1, not "
          "\"0123456789012345678901234567890123456789012345678901234567890123456789012345678..." },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_problem(cases[i].schema, cases[i].value, cases[i].at, cases[i].rule,
                       cases[i].message);
}

TEST(schema, words_name_the_place_or_the_whole)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_schema_problem problem = { .at = PW_LIT("/age"), .message = PW_LIT("must be a number") };
    EXPECT_STR(pw_schema_words(&problem, "the answer", &arena), "'/age' must be a number");
    problem.at = (pw_str){ "", 0 };
    EXPECT_STR(pw_schema_words(&problem, "the answer", &arena), "the answer must be a number");
    pw_arena_done(&arena);
}

/* ------------------------------------------------------------------ is it a schema */

TEST(schema, what_is_no_schema_is_told_with_its_place)
{
    static const char a_schema[] = "must be an object, true or false";
    static const struct {
        const char *schema, *at, *message;
    } cases[] = {
        { "1", "", a_schema },
        { "null", "", a_schema },
        { "{\"properties\":{\"a\":{\"items\":5}}}", "/properties/a/items",
          "must be an array of schemas, and not empty" },
        { "{\"not\":\"x\"}", "/not", a_schema },
        { "{\"properties\":[]}", "/properties", "must be an object" },
        { "{\"properties\":{\"a\":1}}", "/properties/a", a_schema },
        { "{\"allOf\":[]}", "/allOf", "must be an array of schemas, and not empty" },
        { "{\"allOf\":[true,1]}", "/allOf/1", a_schema },
        { "{\"required\":\"a\"}", "/required", "must be an array of texts" },
        { "{\"required\":[\"a\",1]}", "/required/1", "must be a text" },
        { "{\"required\":[\"a\",\"b\",\"a\"]}", "/required/2", "stands there twice" },
        { "{\"dependentRequired\":{\"a\":[1]}}", "/dependentRequired/a/0", "must be a text" },
        { "{\"dependencies\":{\"a\":1}}", "/dependencies/a", a_schema },
        { "{\"type\":\"text\"}", "/type",
          "must be one of null, boolean, object, array, number, string, integer, or an array of "
          "these" },
        { "{\"type\":[\"string\",\"text\"]}", "/type/1",
          "must be one of null, boolean, object, array, number, string, integer, or an array of "
          "these" },
        { "{\"type\":[\"null\",\"null\"]}", "/type/1", "stands there twice" },
        { "{\"enum\":1}", "/enum", "must be an array" },
        { "{\"minimum\":\"1\"}", "/minimum", "must be a number" },
        { "{\"exclusiveMinimum\":true}", "/exclusiveMinimum", "must be a number" },
        { "{\"multipleOf\":0}", "/multipleOf", "must be a number above 0" },
        { "{\"minLength\":-1}", "/minLength", "must be an integer from 0 on" },
        { "{\"minLength\":1.5}", "/minLength", "must be an integer from 0 on" },
        { "{\"uniqueItems\":1}", "/uniqueItems", "must be true or false" },
        { "{\"pattern\":1}", "/pattern", "must be a text" },
        { "{\"pattern\":\"(\"}", "/pattern", "cannot be matched: no end of a group" },
        { "{\"patternProperties\":{\"(\":{}}}", "/patternProperties/(",
          "cannot be matched: no end of a group" },
        { "{\"$ref\":1}", "/$ref", "must be a text" },
        { "{\"$ref\":\"#/$defs/x\"}", "/$ref",
          "names nothing in this document: references lead to '#', '#/...' or an anchor" },
        { "{\"$ref\":\"http://x/y\"}", "/$ref",
          "names nothing in this document: references lead to '#', '#/...' or an anchor" },
        { "{\"$ref\":\"#/required\",\"required\":[]}", "/$ref",
          "names something that is no schema" },
        { "{\"$ref\":\"#/own/x\",\"own\":{\"x\":{\"items\":{\"type\":1}}}}", "/own/x/items/type",
          "must be one of null, boolean, object, array, number, string, integer, or an array of "
          "these" },
        { "{\"$anchor\":\"1a\"}", "/$anchor", "must be a name: letters, digits, '_', '-' and '.'" },
        { "{\"$schema\":\"http://json-schema.org/draft-04/schema#\"}", "/$schema",
          "must be draft 2020-12, 2019-09, 07 or 06 of JSON Schema" },
        { "{\"$defs\":{\"a\":{\"$id\":\"x\"}}}", "/$defs/a/$id",
          "cannot stand within a schema; name the place by '$anchor', or by its pointer" },
        { "{\"$recursiveRef\":\"#\"}", "/$recursiveRef",
          "is not known; draft 2020-12 has '$dynamicRef'" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        result r = run(cases[i].schema, NULL, 0);
        EXPECT_INT(r.code, PAWL_INVALID);
        EXPECT_TEXT(r.message, cases[i].message);
        EXPECT_TEXT(r.at, cases[i].at);
        EXPECT_TEXT(r.rule, cases[i].at);
    }
}

TEST(schema, what_is_no_schema_is_still_no_crash)
{
    static const char *const schemas[] = {
        "{\"properties\":5,\"items\":[],\"required\":\"x\",\"allOf\":1,\"anyOf\":[],\"oneOf\":[]}",
        "{\"type\":5,\"enum\":1,\"minimum\":\"x\",\"multipleOf\":0,\"pattern\":1,\"not\":1,\"if\":"
        "5}",
        "{\"minLength\":-1,\"maxItems\":\"1\",\"dependentRequired\":{\"a\":5},"
        "\"patternProperties\":[]}",
        "{\"$ref\":5,\"contains\":1,\"minContains\":\"x\",\"unevaluatedProperties\":3,"
        "\"propertyNames\":1}",
    };
    static const char *const values[] = { "1", "\"x\"", "[1]", "{\"a\":1}", "null" };
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++)
        for (size_t j = 0; j < sizeof values / sizeof values[0]; j++) {
            result r = run(schemas[i], values[j], 0);
            EXPECT(r.code == PAWL_OK || r.code == PAWL_INVALID);
        }
}

/* ------------------------------------------------------------------ limits */

TEST(schema, a_reference_to_itself_ends)
{
    result r = run("{\"$ref\":\"#\"}", "1", 0);
    EXPECT_INT(r.code, PAWL_INVALID);
    EXPECT_TEXT(r.message, "is nested more than 256 schemas deep");
}

TEST(schema, work_is_bounded)
{
    result r = run("{\"items\":{\"type\":\"integer\"}}", "[1,2,3,4,5,6,7,8,9,10]", 20);
    EXPECT_INT(r.code, PAWL_INVALID);
    EXPECT_TEXT(r.message, "takes more work to look at than a schema may ask for");
    EXPECT_INT(run("{\"items\":{\"type\":\"integer\"}}", "[1,2,3,4,5,6,7,8,9,10]", 40).code,
               PAWL_OK);
    /* each level asks for two of the next: 2^40 of them */
    char schema[4096] = "{\"$defs\":{\"l0\":{\"type\":\"integer\"}";
    for (int i = 1; i <= 40; i++) {
        size_t n = strlen(schema);
        (void)snprintf(
            schema + n, sizeof schema - n,
            ",\"l%d\":{\"allOf\":[{\"$ref\":\"#/$defs/l%d\"},{\"$ref\":\"#/$defs/l%d\"}]}", i,
            i - 1, i - 1);
    }
    size_t n = strlen(schema);
    (void)snprintf(schema + n, sizeof schema - n, "},\"$ref\":\"#/$defs/l40\"}");
    EXPECT_INT(run(schema, NULL, 0).code, PAWL_OK);
    r = run(schema, "1", 0);
    EXPECT_INT(r.code, PAWL_INVALID);
    EXPECT_TEXT(r.message, "takes more work to look at than a schema may ask for");
}

TEST(schema, depth_is_bounded)
{
    pw_buf schema, value;
    pw_buf_init(&schema, 0);
    pw_buf_init(&value, 0);
    for (int i = 0; i < 300; i++) {
        pw_buf_text(&schema, "{\"items\":");
        pw_buf_char(&value, '[');
    }
    pw_buf_text(&schema, "{}");
    for (int i = 0; i < 300; i++) {
        pw_buf_char(&schema, '}');
        pw_buf_char(&value, ']');
    }
    char *schema_text = pw_buf_take(&schema), *value_text = pw_buf_take(&value);
    result r = run(schema_text, NULL, 0);
    EXPECT_INT(r.code, PAWL_INVALID);
    EXPECT_TEXT(r.message, "is nested more than 256 schemas deep");
    r = run("{\"items\":{\"$ref\":\"#\"}}", value_text, 0);
    EXPECT_INT(r.code, PAWL_INVALID);
    EXPECT_TEXT(r.message, "is nested more than 256 schemas deep");
    pw_free(schema_text);
    pw_free(value_text);
}

TEST(schema, a_value_that_cannot_be_matched_says_so)
{
    expect_problem("{\"pattern\":\"(\"}", "\"x\"", "", "/pattern",
                   "cannot be matched: no end of a group");
    /* also where nobody asks why */
    expect_problem("{\"not\":{\"pattern\":\"(\"}}", "\"x\"", "", "/pattern",
                   "cannot be matched: no end of a group");
}

TEST_MAIN()
