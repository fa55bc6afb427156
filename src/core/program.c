/* program.c - the life of a compiled program, how lifecycle events are called, and what error types
 * mean.
 *
 * A program is written by lang while one thread holds it, and by nobody afterwards; the count of
 * references is all that changes then. */
#include "core/program.h"

pw_program *pw_program_new(void)
{
    pw_program *program = pw_zalloc(sizeof *program);
    if (!program)
        return NULL;
    pw_arena_init(&program->arena, 0);
    program->references = 1;
    program->lifecycle = (pw_lifecycle){ .workflow = PW_LIFE_OF_WORKFLOW, .workflow_output = true };
    return program;
}

pw_program *pw_program_ref(pw_program *program)
{
    /* relaxed: who takes a reference has one already, so nothing can be freed meanwhile */
    unsigned before = __atomic_fetch_add(&program->references, 1, __ATOMIC_RELAXED);
    PW_ASSERT(before > 0);
    return program;
}

void pw_program_unref(pw_program *program)
{
    if (!program)
        return;
    /* acquire and release: the last one must see everything the others did before they let go */
    unsigned before = __atomic_fetch_sub(&program->references, 1, __ATOMIC_ACQ_REL);
    PW_ASSERT(before > 0);
    if (before > 1)
        return;
    pw_arena_done(&program->arena);
    pw_free(program);
}

const char *pw_life_name(pw_life kind)
{
    static const char *const names[] = {
        [PW_LIFE_CREATED] = "created",
        [PW_LIFE_STARTED] = "started",
        [PW_LIFE_SUSPENDED] = "suspended",
        [PW_LIFE_RESUMED] = "resumed",
        [PW_LIFE_RETRIED] = "retried",
        [PW_LIFE_CORRELATION_STARTED] = "correlation-started",
        [PW_LIFE_CORRELATION_COMPLETED] = "correlation-completed",
        [PW_LIFE_CANCELLED] = "cancelled",
        [PW_LIFE_FAULTED] = "faulted",
        [PW_LIFE_COMPLETED] = "completed",
    };
    static_assert(PW_LENGTH(names) == PW_LIFE_COUNT, "each kind has its name");
    return names[kind];
}

static const char *const error_prefixes[] = {
    PW_ERROR_HOST,
    PW_ERROR_HOST_OLD,
    "https://open-workflow-specification.org/dsl/errors/types/",
    "https://serverlessworkflow.io/dsl/errors/types/",
};

static const char *const error_suffixes[] = {
    "configuration", "validation", "expression",    "authentication",
    "authorization", "timeout",    "communication", "runtime",
};

pw_str pw_error_suffix(pw_str type)
{
    for (size_t i = 0; i < PW_LENGTH(error_prefixes); i++) {
        pw_str prefix = pw_str_of(error_prefixes[i]);
        if (!pw_str_starts(type, prefix))
            continue;
        pw_str rest = { type.ptr + prefix.len, type.len - prefix.len };
        for (size_t j = 0; j < PW_LENGTH(error_suffixes); j++) {
            if (pw_str_is(rest, error_suffixes[j]))
                return rest;
        }
    }
    return (pw_str){ "", 0 };
}

bool pw_error_type_eq(pw_str a, pw_str b)
{
    if (pw_str_eq(a, b))
        return true;
    pw_str standard = pw_error_suffix(a);
    return standard.len > 0 && pw_str_eq(standard, pw_error_suffix(b));
}
