/* Patterns without an expression, as JSON Schemas have them. */
#include "test.h"
#include "base/json.h"
#include "expr/expr.h"

typedef struct tried {
    pawl_code code;
    bool found;
    uint64_t fuel;
    char message[480];
} tried;

static tried try_one(pw_expr_machine *machine, const char *pattern, const char *text)
{
    tried t = { 0 };
    pawl_error err = { .code = PAWL_OK };
    t.code = pw_expr_test(&t.found, machine, pw_str_of(pattern), pw_str_of(text), &err);
    t.fuel = pw_expr_fuel_spent(machine);
    (void)snprintf(t.message, sizeof t.message, "%s", err.message);
    return t;
}

TEST(patterns, a_text_matches_where_some_part_of_it_does)
{
    static const struct {
        const char *pattern, *text;
        bool found;
    } cases[] = {
        { "b", "abc", true },
        { "^b", "abc", false },
        { "", "", true },
        { "^\\p{Lu}\\d{2}$",
          "\xc3\x84"
          "12",
          true },
        { "^\\d+$", "12a", false },
        { "^[^@\"]+@[^@]+$", "a@b", true },
        { "a\"b\\\\c", "a\"b\\c", true },
        { "\\(.*\\)", "f(x)", true },
    };
    pw_expr_machine *machine = pw_expr_machine_new(NULL);
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < PW_LENGTH(cases); i++) {
            tried t = try_one(machine, cases[i].pattern, cases[i].text);
            EXPECT_INT(t.code, PAWL_OK);
            EXPECT_INT(t.found, cases[i].found);
            EXPECT(t.fuel > 0);
        }
    pw_expr_machine_free(machine);
}

TEST(patterns, what_is_no_pattern_says_why)
{
    pw_expr_machine *machine = pw_expr_machine_new(NULL);
    tried t = try_one(machine, "(", "x");
    EXPECT_INT(t.code, PAWL_EXPRESSION);
    EXPECT_TEXT(t.message, "Regex failure: end pattern with unmatched parenthesis");
    t = try_one(machine, "(a)", "a");
    EXPECT_INT(t.code, PAWL_OK);
    pw_expr_machine_free(machine);
}

TEST(patterns, work_is_bounded_as_in_an_expression)
{
    pw_expr_limits limits = { .fuel = 5000 };
    pw_expr_machine *machine = pw_expr_machine_new(&limits);
    tried t = try_one(machine, "^(a|aa|aaa)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!");
    EXPECT_INT(t.code, PAWL_EXPRESSION);
    EXPECT_TEXT(t.message, "expression stopped: fuel limit reached (too many steps)");
    pw_expr_machine_free(machine);
}

TEST(patterns, a_schema_pays_for_its_patterns)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_expr_machine *machine = pw_expr_machine_new(NULL);
    pw_schema_settings settings = pw_expr_schema_settings(machine);
    pw_value schema, value;
    pw_schema_problem problem;
    pawl_error err;
    EXPECT_OK(
        pw_json_parse(&schema, PW_LIT("{\"items\":{\"pattern\":\"^a\"}}"), NULL, &arena, &err),
        err);
    EXPECT_OK(pw_json_parse(&value, PW_LIT("[\"ab\",\"ba\"]"), NULL, &arena, &err), err);
    EXPECT_INT(pw_schema_validate(&problem, schema, value, &settings, &arena, &err), PAWL_INVALID);
    EXPECT_STR(problem.at, "/1");
    EXPECT_STR(problem.message, "must match the pattern \"^a\", not be \"ba\"");
    settings.fuel = 100; /* a pattern costs as much already */
    EXPECT_INT(pw_schema_validate(&problem, schema, value, &settings, &arena, &err), PAWL_INVALID);
    EXPECT_STR(problem.message, "takes more work to look at than a schema may ask for");
    pw_expr_machine_free(machine);
    pw_arena_done(&arena);
}

TEST_MAIN()
