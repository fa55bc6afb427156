/* vm_internal.h - compiled code and the machine that runs it. For src/expr only. */
#ifndef PW_EXPR_VM_INTERNAL_H
#define PW_EXPR_VM_INTERNAL_H

#include "expr/expr.h"

/* The machine has one accumulator, where a filter finds its input and leaves its output, and a
 * stack for what must wait. Slots `a`/`b` are of the current frame unless a level is said. "sub" in
 * PUSH, POP and others opens or closes a subexpression, in which no path is recorded. */
#define PW_INSNS(X)                                                                                \
    X(OUTPUT) /* gives acc to the caller, then tries for more */                                   \
    X(BACKTRACK)                                                                                   \
    X(CONST)    /* acc = constant b */                                                             \
    X(PUSH)     /* pushes acc; a: opens sub */                                                     \
    X(POP)      /* acc = popped; a: closes sub */                                                  \
    X(SWAP)     /* exchanges acc and the top; a: closes sub */                                     \
    X(LOAD)     /* acc = slot b, a levels up */                                                    \
    X(TAKE)     /* acc = slot a, which becomes null */                                             \
    X(STORE)    /* slot a = acc */                                                                 \
    X(GLOBAL)   /* acc = argument b of the evaluation */                                           \
    X(NULLS)    /* b slots from a become null */                                                   \
    X(INDEX)    /* acc = acc[popped]; a: optional */                                               \
    X(INDEX_K)  /* acc = acc[constant b]; a: optional */                                           \
    X(SLICE)    /* a: 1 optional, 2 an end is pushed, 4 a start is pushed */                       \
    X(EACH)     /* every item; a: optional */                                                      \
    X(BINARY)   /* acc = acc op popped; a: op, and 0x100 closes sub */                             \
    X(BINARY_K) /* acc = acc op constant b; a: op, and 0x100 closes sub and pops the input */      \
    X(NEGATE)                                                                                      \
    X(NOT)                                                                                         \
    X(BOOL)                                                                                        \
    X(JUMP)                                                                                        \
    X(BRANCH)     /* pops the input, closes sub, jumps to b if acc was false or null */            \
    X(FORK)       /* later goes on at b */                                                         \
    X(MARK)       /* a fork without continuation, its place in slot a */                           \
    X(MARK_ELSE)  /* a fork that goes on at b, its place in slot a */                              \
    X(CUT)        /* drops the mark in slot b, a levels up, and all forks above it */              \
    X(COUNT)      /* slot a = acc, a count; b 0: of limit, which backtracks at zero; 1: of skip */ \
    X(COUNT_CUT)  /* --slot a; at zero, cuts the mark in slot b */                                 \
    X(COUNT_SKIP) /* slot a above zero: counts it down and backtracks */                           \
    X(TRY)        /* errors go on at b (0: give nothing); place in slot a */                       \
    X(TRY_END)    /* errors from here on are no longer those of the try in slot a */               \
    X(TRY_NEXT)   /* errors, wherever from, go on at b: for ?// */                                 \
    X(FOUND)      /* false or null: backtracks; else slot a = true */                              \
    X(IF_FOUND)   /* slot a is true: backtracks */                                                 \
    X(CALL)       /* function b, its definition's frame a levels up; ARG_s follow */               \
    X(TAIL_CALL)                                                                                   \
    X(CALL_PARAM) /* closure parameter b of the frame a levels up */                               \
    X(TAIL_PARAM)                                                                                  \
    X(ARG_CLOSURE) /* function b closed over the current frame */                                  \
    X(ARG_PARAM)   /* closure parameter b of the frame a levels up */                              \
    X(ARG_VALUE)   /* popped; the last argument is on top */                                       \
    X(RETURN)                                                                                      \
    X(ARRAY_BEGIN) /* slot a: an array that grows */                                               \
    X(ARRAY_ADD)   /* adds acc to slot a, backtracks */                                            \
    X(ARRAY_END)   /* acc = the array in slot a */                                                 \
    X(OBJECT)      /* acc = an object of b pushed keys and values */                               \
    X(CONCAT)      /* acc = b pushed strings, the first on top */                                  \
    X(FORMAT)      /* acc = acc as text in format b */                                             \
    X(BUILTIN)     /* function b of the table with a popped arguments, the first on top */         \
    X(RANGE)       /* from, to, by (a: pushed too): counts */                                      \
    X(PATH_BEGIN)                                                                                  \
    X(PATH_END) /* acc = the path from PATH_BEGIN to here */                                       \
    X(GETPATH)  /* acc = what acc has at the popped path, as a path expression */                  \
    X(SET)      /* slot a = slot a with acc's path set to slot b */                                \
    X(GET)      /* slot b = acc, a path; acc = what slot a has there; opens sub */                 \
    X(PUT)      /* slot a = slot a with path slot b set to acc */                                  \
    X(DROP)     /* adds the path in slot b to the array in slot a */                               \
    X(DELETE)   /* acc = acc without the paths in slot a */                                        \
    X(OWN)      /* starts an assignment: alone it holds what b slots from a say */             \
    X(KEEP)     /* b slots from a = what the assignment before held alone, by depth */

typedef enum pw_insn_op {
#define PW_INSN_ENUM(name) PW_DO_##name,
    PW_INSNS(PW_INSN_ENUM)
#undef PW_INSN_ENUM
        PW_INSN_COUNT,
} pw_insn_op;

typedef struct pw_insn {
    uint16_t op;
    uint16_t a;
    uint32_t b;
} pw_insn;

typedef struct pw_function {
    uint32_t entry; /* in the code */
    uint32_t slots; /* of its frame: parameters, then variables */
    uint32_t arity;
} pw_function;

struct pw_expr {
    const pw_insn *code;
    const pw_value *constants;
    const pw_function *functions;
    uint32_t code_count, constant_count, function_count;
    uint64_t slots_read;
    bool reads_input;
};

/* ---- the machine */

typedef struct pw_cell { /* of the value stack; `prev` makes it survive backtracking */
    pw_value value;
    uint32_t prev;
} pw_cell;

typedef union pw_slot { /* of a frame */
    pw_value value;
    struct {
        uint32_t prev, back, link, depth; /* caller's frame, return address, defining frame */
    } head;
    struct {
        uint32_t function, frame;
    } closure;
    struct {
        uint32_t fork;
        uint64_t count;
    } mark;
} pw_slot;
static_assert(sizeof(pw_slot) == 16, "as a value");

typedef struct pw_step { /* of a path */
    pw_value key;
    uint32_t prev, depth;
} pw_step;

typedef enum pw_fork_kind {
    PW_FORK_END, /* below all others: no more outputs */
    PW_FORK_PLAIN,
    PW_FORK_MARK, /* nothing: only a place to cut to */
    PW_FORK_EACH, /* the container is in `acc` */
    PW_FORK_RANGE,
    PW_FORK_RANGE_REAL,
    PW_FORK_TRY,
    PW_FORK_TRY_END, /* `index`: the fork of its try */
    PW_FORK_TRY_NEXT,
} pw_fork_kind;

typedef struct pw_fork {
    uint8_t kind;
    bool tracking;
    uint32_t pc, frame, frame_free, top, cell_free, path, step_free, sub, run;
    uint32_t index;
    pw_value acc, path_value;
    union {
        struct {
            int64_t at, to, by;
        } whole;
        struct {
            double at, to, by;
        } real;
    } range;
} pw_fork;

typedef enum pw_stop { /* why an evaluation is given up */
                       PW_STOP_NONE,
                       PW_STOP_FUEL,
                       PW_STOP_MEMORY,
                       PW_STOP_DEPTH,
                       PW_STOP_OUTPUTS,
                       PW_STOP_NO_MEMORY,
} pw_stop;

typedef struct pw_regex_cache pw_regex_cache;

/* The end of an array or string that may still grow in place: nobody else has seen what is behind
 * `count`. Makes `. + [x]` in a loop cost what it adds. */
typedef struct pw_tail {
    const void *start;
    size_t count, size;
} pw_tail;
enum { PW_TAILS = 8, PW_RUNS = 8, PW_OWNED_DEPTH = 16, PW_KEPT_LEVELS = 4 };

struct pw_expr_machine {
    pw_expr_limits limits;
    const pw_expr *expr;
    const pw_expr_input *input;
    pw_arena *arena; /* of the values; its guard and limit are ours while we run */

    pw_value acc;
    uint32_t pc, frame, frame_free, top, path, sub;
    uint32_t run;        /* assignments inside each other that are at work */
    bool tracking;       /* between PATH_BEGIN and PATH_END */
    pw_value path_value; /* what the path leads to */

    pw_cell *cells;
    pw_slot *slots;
    pw_fork *forks;
    pw_step *steps;
    /* What this evaluation may fill of each; it pays for more. There may be more room from others
     * before it, which must not show. */
    uint32_t cell_size, slot_size, fork_size, step_size;
    uint32_t cell_room, slot_room, fork_room, step_room;
    uint32_t fork_count;

    uint64_t fuel, fuel_given;
    uint64_t evaluations; /* so far, this one too */
    uint32_t outputs;
    pw_stop stop;
    pw_value error;   /* what was thrown last */
    bool failed;      /* ... and nothing caught it */
    bool odd_numbers; /* NaN or an infinity may be among the values */

    pw_tail tails[PW_TAILS];
    unsigned next_tail;
    uint64_t owner; /* of the objects that grow; 0: none yet. Ends with each output */
    /* Containers on the path changed last, by depth, that an assignment at work made itself and has
     * shown to nobody: the next path may change them in place. */
    const void *owned[PW_RUNS][PW_OWNED_DEPTH];

    pw_buf text;          /* scratch */
    char thrown_text[30]; /* of an error that is not a string, cut */
    pw_regex_cache *regexes;
    pw_arena tests;        /* of pw_expr_test: holds: */
    const pw_expr *tester; /* NULL: not yet */
};

/* ---- for everything that runs in a machine */

_Noreturn void pw_expr_stop(pw_expr_machine *m, pw_stop stop);
static inline void pw_expr_charge(pw_expr_machine *m, uint64_t units)
{
    if (m->fuel < units)
        pw_expr_stop(m, PW_STOP_FUEL);
    m->fuel -= units;
}
static inline void pw_expr_charge_bytes(pw_expr_machine *m, size_t bytes)
{
    pw_expr_charge(m, bytes / 16 + 1);
}

/* Long text that an instruction reads beside its main work, some times over: a key that is looked
 * up is compared with others, a number that kept its digits is read digit by digit. */
enum { PW_TEXT_SHORT = 64 };
static inline void pw_expr_charge_text(pw_expr_machine *m, size_t bytes)
{
    if (bytes >= PW_TEXT_SHORT)
        pw_expr_charge(m, bytes / 4);
}
static inline void pw_expr_charge_number(pw_expr_machine *m, pw_value v)
{
    if (v.count >= PW_TEXT_SHORT && v.type == PW_NUMBER)
        pw_expr_charge(m, v.count / 4);
}
static inline void pw_expr_charge_key(pw_expr_machine *m, pw_value key)
{
    if (key.count >= PW_TEXT_SHORT && key.type <= PW_STRING)
        pw_expr_charge(m, key.count / 4);
}

/* Takes memory outside the arena out of what the evaluation may have. */
void pw_expr_claim(pw_expr_machine *m, size_t bytes);

/* Sets the thrown value; always gives PW_NONE, which is what a builtin returns then. */
pw_value pw_expr_throw(pw_expr_machine *m, const char *format, ...) PW_PRINTF(2, 3);
pw_value pw_expr_throw_value(pw_expr_machine *m, pw_value value);

#define PW_DUMP_SIZE 30 /* with NUL; as jq cuts values in messages */
/* The value as text, cut. Returns buf. */
const char *pw_expr_dump(pw_expr_machine *m, pw_value v, char buf[PW_DUMP_SIZE]);

/* ---- vm.c: true: an output in acc; false: the end, or an error in m->error. */
bool pw_vm_start(pw_expr_machine *m);
bool pw_vm_next(pw_expr_machine *m);

/* ---- ops.c: what operators mean. PW_NONE: thrown. */
pw_value pw_expr_binary(pw_expr_machine *m, unsigned op, pw_value a, pw_value b);
pw_value pw_expr_add(pw_expr_machine *m, pw_value a, pw_value b);
pw_value pw_expr_negate(pw_expr_machine *m, pw_value v);
pw_value pw_expr_split(pw_expr_machine *m, pw_str s, pw_str separator);
pw_value pw_expr_number(pw_expr_machine *m, double d); /* keeps NaN and infinities: outputs are cleaned of them */
/* -1, 0, 1; NaN is below every number. `what`: for the error when nested too deeply. PW_ORDER_BAD:
 * thrown. */
enum { PW_ORDER_BAD = 2 };
int pw_expr_order(pw_expr_machine *m, pw_value a, pw_value b, const char *what);
pw_value pw_expr_append_text(pw_expr_machine *m, pw_value a, pw_str b);
pw_value pw_expr_append_items(pw_expr_machine *m, pw_value a, const pw_value *items, size_t count);
pw_value pw_expr_string(pw_expr_machine *m, pw_str s); /* copies and charges */
void pw_expr_begin_text(pw_expr_machine *m);           /* m->text is empty */
pw_value pw_expr_buffer(pw_expr_machine *m);           /* m->text as a string, or stops */
void pw_expr_grow_array(pw_expr_machine *m, pw_value *array, pw_value item);
/* As pw_object_of: compares keys, and charges for long ones. */
pw_value pw_expr_object(pw_expr_machine *m, const pw_member *members, size_t count);
/* v with a member; a new key costs what it adds. The key is borrowed. */
pw_value pw_expr_with(pw_expr_machine *m, pw_value v, pw_str key, pw_value value);

/* ---- paths.c */
pw_value pw_expr_index(pw_expr_machine *m, pw_value v, pw_value key);
pw_value pw_expr_slice(pw_expr_machine *m, pw_value v, pw_value from, pw_value to);
pw_value pw_expr_getpath(pw_expr_machine *m, pw_value v, pw_value path);
pw_value pw_expr_setpath(pw_expr_machine *m, pw_value v, pw_value path, pw_value leaf, bool own);
pw_value pw_expr_delpaths(pw_expr_machine *m, pw_value v, pw_value paths);
/* The running assignment no longer holds alone what lies at `depth` and below. */
void pw_expr_disown(pw_expr_machine *m, uint32_t depth);

/* ---- format.c */
int pw_expr_format_id(pw_str name); /* below 0: no such format */
pw_value pw_expr_format(pw_expr_machine *m, unsigned format, pw_value v);
pw_value pw_expr_tostring(pw_expr_machine *m, pw_value v);
void pw_expr_write(pw_expr_machine *m, pw_buf *buf, pw_value v); /* JSON; charges */

/* ---- complain.c: throws what jq says of a text that is no JSON; `otherwise`: if jq took it */
pw_value pw_expr_complain_json(pw_expr_machine *m, pw_str text, const char *otherwise);

/* ---- builtins */
typedef pw_value (*pw_builtin_fn)(pw_expr_machine *m, pw_value in, const pw_value *args);
typedef struct pw_builtin {
    const char *name;
    unsigned arity;
    pw_builtin_fn run;
} pw_builtin;
int pw_builtin_find(pw_str name, size_t arity); /* below 0: none */
const pw_builtin *pw_builtin_at(uint32_t index);
/* jq text of a function that is written in jq; empty: none. */
pw_str pw_prelude_find(pw_str name, size_t arity);
/* "name/arity" of all that there is. */
pw_value pw_builtin_names(pw_expr_machine *m, pw_value in, const pw_value *args);

/* ---- what a machine gives out: no NaN, no infinities, not nested too deeply. PW_NONE: thrown */
pw_value pw_expr_clean(pw_expr_machine *m, pw_value v);

/* ---- builtins_array.c: a stable sort. PW_NONE: thrown. */
pw_value pw_expr_sorted(pw_expr_machine *m, pw_value array);

void pw_regex_cache_free(pw_regex_cache *cache);
void pw_regex_cache_shrink(pw_regex_cache *cache); /* drops what is large; NULL is fine */

#endif
