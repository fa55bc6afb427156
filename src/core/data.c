/* data.c - whether data fit the schemas that the definition gives for them. */
#include "core/step.h"

static bool problem_of(pw_step *step, pw_value schema, pw_value data, const char *whole,
                       pw_str *words)
{
    const pw_schema_settings settings = pw_expr_schema_settings(step->machine);
    pw_schema_problem problem;
    pawl_error err;
    pawl_code code = pw_schema_validate(&problem, schema, data, &settings, step->arena, &err);
    if (code == PAWL_OK)
        return false;
    if (code != PAWL_INVALID)
        pw_step_abort(step, code, "out of memory");
    *words = pw_schema_words(&problem, whole, step->arena);
    return true;
}

bool pw_data_problem(pw_step *step, pw_value schema, pw_value data, const char *whole,
                     pw_str *words)
{
    return !pw_is(schema, PW_NONE) && problem_of(step, schema, data, whole, words);
}

bool pw_data_fits(pw_step *step, const pw_frame *frame, pw_value schema, pw_value data,
                  const char *what)
{
    if (pw_is(schema, PW_NONE)) /* most have none */
        return true;
    pw_str words, whole = pw_arena_printf(step->arena, "the %s", what);
    if (!problem_of(step, schema, data, whole.ptr, &words))
        return true;
    pw_str title = pw_arena_printf(step->arena, "the %s does not fit its schema", what);
    step->thrown = pw_problem(step, frame, "validation", 400, title.ptr, PW_FMT, PW_ARG(words));
    return false;
}
