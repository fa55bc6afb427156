/* schema.c - any two values, a line each, as a schema and what it is to be held against: whatever
 * the first one is, checking and validating end with an answer that says where and why. What is a
 * schema says the same each time, the same within `allOf`, and the contrary within `not`. */
#include "fuzz.h"
#include "base/json.h"
#include "expr/expr.h"

static pw_expr_machine *machine;

static void give_back(void) __attribute__((destructor));
static void give_back(void)
{
    pw_expr_machine_free(machine);
}

/* A limit was reached, or a pattern could not be matched: that is no statement about the value. */
static bool is_stop(pw_str message)
{
    static const char *const stops[] = { "takes more work", "is nested more", "cannot be " };
    for (size_t i = 0; i < PW_LENGTH(stops); i++)
        if (pw_str_starts(message, pw_str_of(stops[i])))
            return true;
    return false;
}

typedef struct answer {
    bool fits, stopped;
} answer;

static answer ask(pw_value schema, pw_value value, pw_arena *arena)
{
    pw_schema_settings settings = pw_expr_schema_settings(machine);
    settings.fuel = 20000;
    pw_schema_problem problem = { 0 };
    pawl_error err;
    pawl_code code = pw_schema_validate(&problem, schema, value, &settings, arena, &err);
    FUZZ_CHECK(code == PAWL_OK || code == PAWL_INVALID);
    if (code == PAWL_OK)
        return (answer){ true, false };
    FUZZ_CHECK(problem.message.len > 0 && pw_utf8_valid(problem.message));
    FUZZ_CHECK(problem.at.len == 0 || problem.at.ptr[0] == '/');
    FUZZ_CHECK(problem.rule.len == 0 || problem.rule.ptr[0] == '/');
    FUZZ_CHECK(pw_schema_words(&problem, "it", arena).len > problem.message.len);
    return (answer){ false, is_stop(problem.message) };
}

static pw_value within(pw_arena *arena, const char *keyword, pw_value schema)
{
    const pw_member member[] = { { pw_str_of(keyword), schema } };
    return pw_object_of(arena, member, 1);
}

static void compare(pw_value schema, pw_value value, pw_arena *arena)
{
    answer first = ask(schema, value, arena), again = ask(schema, value, arena);
    FUZZ_CHECK(first.fits == again.fits && first.stopped == again.stopped);
    pw_str text = pw_json_text(arena, schema, PW_JSON_COMPACT);
    if (first.stopped || memmem(text.ptr, text.len, "Ref", 3) ||
        memmem(text.ptr, text.len, "ref", 3))
        return; /* a reference to the whole would mean something else */
    answer all = ask(within(arena, "allOf", pw_array(arena, &schema, 1)), value, arena);
    answer not = ask(within(arena, "not", schema), value, arena);
    FUZZ_CHECK(all.stopped || all.fits == first.fits);
    FUZZ_CHECK(not .stopped || not .fits != first.fits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const pw_expr_limits limits = { .fuel = 20000, .memory = 1u << 20, .depth = 200 };
    if (!machine)
        machine = pw_expr_machine_new(&limits);
    FUZZ_CHECK(machine != NULL);
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_str text = fuzz_text(data, size);
    const char *end = text.len ? memchr(text.ptr, '\n', text.len) : NULL;
    size_t first = end ? (size_t)(end - text.ptr) : text.len;
    pw_str second = end ? (pw_str){ end + 1, text.len - first - 1 } : PW_LIT("null");
    pw_value schema, value;
    if (pw_json_parse(&schema, (pw_str){ text.ptr, first }, NULL, &arena, NULL) == PAWL_OK &&
        pw_json_parse(&value, second, NULL, &arena, NULL) == PAWL_OK) {
        pw_schema_settings settings = pw_expr_schema_settings(machine);
        settings.fuel = 20000;
        pw_schema_problem problem = { 0 };
        pawl_error err;
        pawl_code code = pw_schema_check(&problem, schema, &settings, &arena, &err);
        FUZZ_CHECK(code == PAWL_OK || code == PAWL_INVALID);
        FUZZ_CHECK(code == PAWL_OK || problem.message.len > 0);
        if (code == PAWL_OK)
            compare(schema, value, &arena);
        else
            (void)ask(schema, value, &arena);
    }
    pw_arena_done(&arena);
    return 0;
}
