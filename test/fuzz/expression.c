/* expression.c - any bytes as an expression: refused with a reason and a place, or evaluated within
 * limits, twice with the same outcome. */
#include "fuzz.h"
#include "base/json.h"
#include "expr/expr.h"

static const pw_expr_variable variables[] = { { { "input", 5 }, 0 }, { { "context", 7 }, 1 } };
static const pw_expr_limits limits = {
    .fuel = 100000, .memory = 1u << 20, .depth = 500, .outputs = 50
};

typedef struct run {
    pw_arena arena;
    pw_buf results; /* every output, a line each; then how it ended */
} run;

/* What comes out is JSON: it reads back as the same value. */
static bool take(void *context, pw_value output)
{
    run *r = context;
    pw_arena arena; /* of its own: the evaluation's has a limit */
    pw_arena_init(&arena, 0);
    pw_str text = pw_json_text(&arena, output, PW_JSON_COMPACT);
    FUZZ_CHECK(text.ptr != NULL);
    pw_value again;
    pawl_error err;
    FUZZ_CHECK(pw_json_parse(&again, text, NULL, &arena, &err) == PAWL_OK);
    FUZZ_CHECK(pw_equal(output, again));
    pw_buf_str(&r->results, text);
    pw_buf_char(&r->results, '\n');
    pw_arena_done(&arena);
    return true;
}

static void run_begin(run *r)
{
    pw_arena_init(&r->arena, 0);
    pw_buf_init(&r->results, 0);
}

static void run_end(run *r)
{
    pw_buf_done(&r->results);
    pw_arena_done(&r->arena);
}

static void evaluate(run *r, pw_expr_machine *machine, const pw_expr *expr)
{
    static const char input[] =
        "{\"a\":[1,2.50,\"x\",null,true],\"b\":{\"c\":{\"d\":12345678901234567890}},"
        "\"s\":\"text of 2026-01-02T03:04:05Z, \\u00e9\\ud83d\\ude00\",\"n\":-7}";
    pw_value slots[2], thrown = { 0 };
    pawl_error err = { .code = PAWL_OK };
    FUZZ_CHECK(pw_json_parse(&slots[0], pw_str_of(input), NULL, &r->arena, &err) == PAWL_OK);
    slots[1] = pw_int(3);
    const pw_expr_input in = {
        .input = slots[0], .slots = slots, .slot_count = 2, .now_ms = 1790000000123
    };
    pawl_code code = pw_expr_run(machine, expr, &in, take, r, &r->arena, &thrown, &err);
    FUZZ_CHECK(code == PAWL_OK || code == PAWL_EXPRESSION);
    if (code == PAWL_EXPRESSION) {
        FUZZ_CHECK(err.code == code && pw_utf8_valid(pw_str_of(err.message)));
        pw_buf_text(&r->results, err.message);
    }
    pw_buf_printf(&r->results, "fuel %llu", (unsigned long long)pw_expr_fuel_spent(machine));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    const pw_expr *expr = NULL;
    size_t position = 0;
    pawl_error err = { .code = PAWL_OK };
    pw_str source = fuzz_text(data, size);
    pawl_code code =
        pw_expr_compile(&expr, source, variables, PW_LENGTH(variables), &arena, &position, &err);
    if (code == PAWL_OK) {
        pw_expr_machine *machine = pw_expr_machine_new(&limits);
        FUZZ_CHECK(machine != NULL);
        run first, second;
        run_begin(&first);
        run_begin(&second);
        evaluate(&first, machine, expr);
        evaluate(&second, machine, expr);
        FUZZ_CHECK(!first.results.failed && !second.results.failed);
        FUZZ_CHECK(pw_str_eq(pw_buf_view(&first.results), pw_buf_view(&second.results)));
        run_end(&first);
        run_end(&second);
        pw_expr_machine_free(machine);
    } else {
        FUZZ_CHECK(code == PAWL_INVALID);
        FUZZ_CHECK(position <= size);
        FUZZ_CHECK(err.message[0] != '\0');
    }
    if (size >= 2 && data[0] == '$' && data[1] == '{')
        FUZZ_CHECK(pw_expr_scan(source) <= size);
    pw_arena_done(&arena);
    return 0;
}
