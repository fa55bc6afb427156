/* syntax_internal.h - from source text to a tree: tokens, nodes, patterns. For src/expr only.
 *
 * The tree lives in the compiler's temporary arena. Every error leaves by longjmp to the guard of
 * that arena (pw_syntax_fail), so no function here needs to hand codes upwards. */
#ifndef PW_SYNTAX_INTERNAL_H
#define PW_SYNTAX_INTERNAL_H

#include "expr/expr.h"

/* Most levels of syntax inside each other; a bracket is two. The parser and the compiler recurse by
 * this depth and by nothing else. */
#define PW_EXPR_NESTING_MAX 1000
#define PW_EXPR_ARITY_MAX 64

typedef enum pw_token {
    PW_TOK_END,
    PW_TOK_IDENT,    /* text: name, perhaps with :: */
    PW_TOK_FIELD,    /* .name; text: name */
    PW_TOK_VARIABLE, /* $name; text: name */
    PW_TOK_FORMAT,   /* @name; text: name */
    PW_TOK_NUMBER,
    PW_TOK_QUOTE,    /* the opening quote of a string */
    PW_TOK_OPERATOR, /* text: one of the operators and punctuation */
    PW_TOK_KEYWORD,
    PW_TOK_BAD,
} pw_token;

typedef struct pw_lexer {
    pw_str source;
    size_t at;    /* behind the current token */
    size_t start; /* of the current token */
    pw_token token;
    pw_str text;
} pw_lexer;

void pw_lex_next(pw_lexer *lex);
/* White space and comments; jq's comments go on behind a backslash before the line's end. */
size_t pw_lex_skip(pw_str source, size_t at);
/* The number that `text` is in jq: as in JSON, also `.5`, `5.`, `007`, `+1`. It must be one. */
pw_value pw_lex_number(pw_arena *arena, pw_str text);

typedef enum pw_node_kind {
    PW_NODE_IDENTITY,
    PW_NODE_RECURSE, /* .. */
    PW_NODE_CONST,   /* value */
    PW_NODE_STRING,  /* parts: list of a (const strings and expressions); name: format or empty */
    PW_NODE_FORMAT,  /* @name as a filter */
    PW_NODE_INDEX,   /* a[b] */
    PW_NODE_SLICE,   /* a[b:c], either may be NULL */
    PW_NODE_EACH,    /* a[] */
    PW_NODE_TRY,     /* try a catch b; b may be NULL */
    PW_NODE_PIPE,    /* list of a */
    PW_NODE_COMMA,   /* list of a */
    PW_NODE_BINARY,  /* a op b: arithmetic and comparison */
    PW_NODE_AND,
    PW_NODE_OR,
    PW_NODE_ALTERNATIVE, /* a // b */
    PW_NODE_ASSIGN,      /* a = b */
    PW_NODE_UPDATE,      /* a |= b */
    PW_NODE_OP_ASSIGN,   /* a op= b; op PW_OP_ALTERNATIVE: //= */
    PW_NODE_NEGATE,
    PW_NODE_IF,      /* if a then b else c; c may be NULL */
    PW_NODE_REDUCE,  /* reduce a as pattern (b; c) */
    PW_NODE_FOREACH, /* foreach a as pattern (b; c; d); d may be NULL */
    PW_NODE_DEF,     /* def; a is where it is known */
    PW_NODE_CALL,    /* name(list of a) */
    PW_NODE_VARIABLE,
    PW_NODE_AS,    /* a as pattern | b; pattern->alternative: ?// */
    PW_NODE_LABEL, /* label $name | a */
    PW_NODE_BREAK,
    PW_NODE_ARRAY,  /* [a]; a may be NULL */
    PW_NODE_OBJECT, /* members: list; each node's a is the key, b the value */
    PW_NODE_MEMBER,
} pw_node_kind;

typedef enum pw_op { /* of BINARY and OP_ASSIGN */
                     PW_OP_ADD,
                     PW_OP_SUBTRACT,
                     PW_OP_MULTIPLY,
                     PW_OP_DIVIDE,
                     PW_OP_MODULO,
                     PW_OP_EQUAL,
                     PW_OP_NOT_EQUAL,
                     PW_OP_LESS,
                     PW_OP_LESS_EQUAL,
                     PW_OP_GREATER,
                     PW_OP_GREATER_EQUAL,
                     PW_OP_ALTERNATIVE,
} pw_op;

typedef struct pw_node pw_node;
typedef struct pw_pattern pw_pattern;
typedef struct pw_parameter pw_parameter;
typedef struct pw_def pw_def;

struct pw_node {
    uint8_t kind;      /* pw_node_kind */
    uint8_t op;        /* pw_op */
    bool optional;     /* INDEX, SLICE, EACH: an error gives nothing */
    bool varies;       /* known not to be constant */
    bool interpolated; /* in a string, to be made text */
    uint32_t pos;
    uint32_t count; /* of list */
    uint16_t kept_slot;  /* ASSIGN, OP_ASSIGN, UPDATE: see compile_alone.c */
    uint8_t kept_levels; /* 0: nothing is kept */
    pw_str name;
    pw_value value;
    pw_node *a, *b, *c, *d;
    pw_node *list; /* first; the others by next */
    pw_node *next;
    pw_pattern *pattern;
    pw_def *def;
};

/* $name, [patterns], {key: pattern}. An object's member may bind a variable of its key as well. */
struct pw_pattern {
    enum { PW_PATTERN_VARIABLE, PW_PATTERN_ARRAY, PW_PATTERN_OBJECT } kind;
    uint32_t pos;
    pw_str name;             /* VARIABLE, and `$name: pattern` inside an object */
    pw_node *key;            /* inside an object */
    pw_pattern *inner;       /* inside an object: may be NULL */
    pw_pattern *list;        /* ARRAY, OBJECT: first element */
    pw_pattern *next;        /* in the list */
    pw_pattern *alternative; /* ?// */
};

struct pw_parameter {
    pw_str name;
    bool is_value; /* $name */
    bool called;   /* $name, and the body calls `name` too: needs the closure */
};

struct pw_def {
    pw_str name;
    uint32_t pos, arity;
    pw_parameter *parameters;
    pw_node *body;
};

typedef struct pw_syntax {
    pw_arena *arena; /* of the tree; its guard is set */
    pawl_error *err;
    size_t position; /* of the error */
    pawl_code code;
} pw_syntax;

_Noreturn void pw_syntax_fail(pw_syntax *syntax, size_t position, const char *format, ...)
    PW_PRINTF(3, 4);
pw_node *pw_parse(pw_syntax *syntax, pw_str source);
/* Whether the value may depend on the input. NULL: no. */
bool pw_reads_input(const pw_node *n);
/* "def name(params): body;" of the prelude. */
pw_def *pw_parse_def(pw_syntax *syntax, pw_str source);

#endif
