/* test.c - whether a text matches a pattern, for who has no expression but only the two: JSON
 * Schemas. It is what `test` of the language says, at its price and within its limits. */
#include "expr/vm_internal.h"

/* Compiled once for each machine, and kept in an arena of its own. */
static pawl_code prepare(pw_expr_machine *m, pawl_error *err)
{
    if (m->tester)
        return PAWL_OK;
    pw_arena_init(&m->tests, 0);
    pawl_code code =
        pw_expr_compile(&m->tester, PW_LIT(". as [$text, $pattern] | $text | test($pattern)"), NULL,
                        0, &m->tests, NULL, err);
    if (code != PAWL_OK) {
        m->tester = NULL;
        pw_arena_done(&m->tests);
    }
    return code;
}

pawl_code pw_expr_test(bool *found, pw_expr_machine *m, pw_str pattern, pw_str text,
                       pawl_error *err)
{
    pawl_code code = prepare(m, err);
    if (code != PAWL_OK)
        return code;
    pw_value both[] = { pw_string_ref(text), pw_string_ref(pattern) }, result;
    pw_expr_input input = { .input = pw_array_ref(both, 2) };
    pw_arena_mark mark = pw_arena_at(&m->tests);
    code = pw_expr_first(&result, m, m->tester, &input, &m->tests, err);
    pw_arena_rewind(&m->tests, mark);
    if (code == PAWL_OK)
        *found = pw_is(result, PW_TRUE);
    return code;
}

static pawl_code match(void *context, pw_str pattern, pw_str text, bool *found, uint64_t *cost,
                       pawl_error *err)
{
    pw_expr_machine *m = context;
    pawl_code code = pw_expr_test(found, m, pattern, text, err);
    *cost = pw_expr_fuel_spent(m);
    return code;
}

pw_schema_settings pw_expr_schema_settings(pw_expr_machine *machine)
{
    return (pw_schema_settings){ .match = match, .context = machine };
}
