/* compile_internal.h - the two halves of the compiler: expressions, and calls. For src/expr only.
 */
#ifndef PW_EXPR_COMPILE_INTERNAL_H
#define PW_EXPR_COMPILE_INTERNAL_H

#include "expr/syntax_internal.h"
#include "expr/vm_internal.h"

/* Code of one function while it grows. */
typedef struct pw_code {
    struct pw_code *parent; /* the function it is written in; NULL: none */
    struct pw_code *next;   /* all functions, by index */
    uint32_t index, slots, arity;
    pw_insn *insns;
    uint32_t count, size, entry;
} pw_code;

typedef struct pw_scope { /* a name that is known, and all before it */
    enum {
        PW_SCOPE_VARIABLE,
        PW_SCOPE_GLOBAL,
        PW_SCOPE_LABEL,
        PW_SCOPE_FUNCTION,
        PW_SCOPE_PARAM
    } kind;
    pw_str name;
    uint32_t arity;
    uint32_t slot; /* of code's frame; GLOBAL: of the arguments; PARAM: its place */
    pw_code *code; /* whose frame holds it; FUNCTION: the function itself */
    const pw_def *def;
    const struct pw_scope *outer;
} pw_scope;

typedef struct pw_known { /* a function of the prelude that was compiled already */
    pw_code *code;
    const pw_def *def;
    struct pw_known *next;
} pw_known;

typedef struct pw_compiler {
    pw_syntax *syntax;
    pw_arena *scratch; /* until compiled */
    pw_arena *out;
    pw_code *first, **last;
    uint32_t function_count;
    pw_value *constants;
    uint32_t constant_count, constant_size;
    pw_known *known;
    uint64_t slots_read;
    bool reads_input;
    uint32_t code_total;
    bool track;       /* the program records paths: subexpressions must be marked */
    bool wants_track; /* ... and this was found out too late: compile again */
    unsigned depth;   /* of prelude functions in each other */
} pw_compiler;

uint32_t pw_emit(pw_compiler *c, pw_code *code, pw_insn_op op, uint32_t a, uint32_t b);
/* Makes the jump at `from` go to the next instruction. */
void pw_emit_here(pw_code *code, uint32_t from);
uint32_t pw_emit_slot(pw_compiler *c, pw_code *code, uint32_t count);
uint32_t pw_emit_constant(pw_compiler *c, pw_value value);
uint32_t pw_emit_level(const pw_code *from, const pw_code *to);
pw_code *pw_code_new(pw_compiler *c, pw_code *parent, uint32_t slots);
pw_scope *pw_scope_add(pw_compiler *c, const pw_scope *outer, int kind, pw_str name, pw_code *code,
                       uint32_t slot);

/* acc is the input before and an output after. */
void pw_compile(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n);
void pw_compile_def(pw_compiler *c, pw_code *parent, pw_scope *self);
/* acc is the input, before and after; an output of n is pushed. */
void pw_compile_operand(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *n);
/* Finds out whether the update of a reduce holds its state alone, and marks its assignments. */
void pw_compile_alone(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *update);
/* The definition or parameter that a call means; NULL: none of the expression's own. */
const pw_scope *pw_scope_function(const pw_scope *scope, pw_str name, uint32_t arity);
void pw_compile_call(pw_compiler *c, pw_code *code, const pw_scope *scope, pw_node *call);

#endif
