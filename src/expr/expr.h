/* expr.h - jq expressions: compile once, evaluate many times, within limits.
 *
 * A compiled expression is immutable and may be evaluated by many threads at once. Evaluation has
 * no I/O, no environment, no clock but the one given; what it may spend is bounded, and running
 * out is an ordinary error that names the limit. The evaluator's stack is on the heap. */
#ifndef PW_EXPR_H
#define PW_EXPR_H

#include "base/schema.h"
#include "base/value.h"

#define PW_EXPR_LEVEL                                                                              \
    1 /* of the evaluator; a published definition keeps the level it was published with */
#define PW_EXPR_SOURCE_MAX (1u << 20)
#define PW_EXPR_SLOTS_MAX 64 /* variables from outside in one expression */

typedef struct pw_expr pw_expr;

/* A variable from outside: `$name` reads slot `slot` of the arguments. Later ones hide earlier ones
 * of the same name. */
typedef struct pw_expr_variable {
    pw_str name;   /* without the $ */
    uint32_t slot; /* below PW_EXPR_SLOTS_MAX */
} pw_expr_variable;

/* Compiles `source` into `arena`, which must outlive the expression. PAWL_INVALID: the message says
 * what and where; *position (may be NULL) is the offset in bytes. Names outside `variables` that
 * the source does not bind itself are errors. `err->message` does not contain the position. */
PAWL_CHECK pawl_code pw_expr_compile(const pw_expr **out, pw_str source,
                                     const pw_expr_variable *variables, size_t variable_count,
                                     pw_arena *arena, size_t *position, pawl_error *err);

/* Slots that the expression reads, as a bit set. */
uint64_t pw_expr_slots(const pw_expr *expr);
/* False: what it gives does not depend on `.`. True is no promise that it does. */
bool pw_expr_reads_input(const pw_expr *expr);

typedef struct pw_expr_limits { /* zero means default */
    uint64_t fuel;              /* 10,000,000 units: instructions, and elements and bytes touched */
    size_t memory;              /* 64 MiB, logical bytes made by one evaluation */
    uint32_t
        depth; /* 10,000 nested calls and backtracking points each ... see doc/expressions.md */
    uint32_t outputs; /* 1,000,000 */
} pw_expr_limits;

/* What an evaluation runs in: reusable scratch memory of one thread. */
typedef struct pw_expr_machine pw_expr_machine;
pw_expr_machine *pw_expr_machine_new(const pw_expr_limits *limits); /* NULL: out of memory */
void pw_expr_machine_free(pw_expr_machine *machine);

typedef struct pw_expr_input {
    pw_value input;        /* `.` */
    const pw_value *slots; /* arguments by slot; PW_NONE reads as null */
    uint64_t slot_count;
    int64_t now_ms; /* what `now` gives */
} pw_expr_input;

/* Called with each output; valid as long as the arena. Returning false ends the evaluation with
 * PAWL_OK. */
typedef bool (*pw_expr_output_fn)(void *context, pw_value output);

/* Evaluates; values are made in `arena` (scratch of the evaluation is the machine's). On
 * PAWL_EXPRESSION, err->message is jq's wording and *thrown (may be NULL) is the value of the
 * error: a string, or what `error(value)` was given. PAWL_NO_MEMORY. */
PAWL_CHECK pawl_code pw_expr_run(pw_expr_machine *machine, const pw_expr *expr,
                                 const pw_expr_input *input, pw_expr_output_fn on_output,
                                 void *context, pw_arena *arena, pw_value *thrown, pawl_error *err);

/* The DSL's reading: the first output, or null if there is none. Stops after the first. */
PAWL_CHECK pawl_code pw_expr_first(pw_value *out, pw_expr_machine *machine, const pw_expr *expr,
                                   const pw_expr_input *input, pw_arena *arena, pawl_error *err);

/* Whether some part of `text` matches the pattern: `test` of the language, with the limits of one evaluation.
 * PAWL_EXPRESSION: it is no pattern, or takes too much. */
PAWL_CHECK pawl_code pw_expr_test(bool *found, pw_expr_machine *machine, pw_str pattern, pw_str text,
                                  pawl_error *err);
/* Patterns of JSON Schemas by the same; they cost what they cost here. */
pw_schema_settings pw_expr_schema_settings(pw_expr_machine *machine);

/* Fuel spent by the last evaluation: a repeatable count of its work. */
uint64_t pw_expr_fuel_spent(const pw_expr_machine *machine);

/* Offset behind the first complete `${ ... }` in `text`, which must start with "${"; 0: not closed.
 * Knows jq's strings, interpolation and comments. */
size_t pw_expr_scan(pw_str text);
#endif
