/* schema_internal.h - what validating and checking share: the keywords, the places, the end of it. */
#ifndef PW_SCHEMA_INTERNAL_H
#define PW_SCHEMA_INTERNAL_H

#include <setjmp.h>
#include "base/schema.h"

/* What the value of a keyword is. */
typedef enum shape {
    SHAPE_SCHEMA,
    SHAPE_SCHEMAS,        /* an array of them, not empty */
    SHAPE_SCHEMA_MAP,     /* an object of them */
    SHAPE_PATTERN_MAP,    /* the same, and each key is a pattern */
    SHAPE_ITEMS,          /* a schema, or an array of them */
    SHAPE_DEPENDENCIES,   /* an object of schemas and arrays of names */
    SHAPE_NAMES,          /* an array of texts, each once */
    SHAPE_NAMES_MAP,      /* an object of such */
    SHAPE_TYPE,           /* a name of a type, or an array of them */
    SHAPE_ENUM,           /* an array */
    SHAPE_ANY,
    SHAPE_NUMBER,
    SHAPE_POSITIVE,       /* a number above 0 */
    SHAPE_COUNT,          /* an integer from 0 on */
    SHAPE_BOOLEAN,
    SHAPE_PATTERN,
    SHAPE_REFERENCE,
    SHAPE_ANCHOR,
    SHAPE_DRAFT,          /* `$schema` */
    SHAPE_ID,
    SHAPE_REFUSED,        /* not known here, and not harmless */
} shape;

/* In the order of their names: they are searched by halves. */
#define KEYWORDS(X)                                                                                \
    X(ANCHOR, "$anchor", SHAPE_ANCHOR)                                                             \
    X(DEFS, "$defs", SHAPE_SCHEMA_MAP)                                                             \
    X(DYNAMIC_ANCHOR, "$dynamicAnchor", SHAPE_ANCHOR)                                              \
    X(DYNAMIC_REF, "$dynamicRef", SHAPE_REFERENCE)                                                 \
    X(ID, "$id", SHAPE_ID)                                                                         \
    X(RECURSIVE_ANCHOR, "$recursiveAnchor", SHAPE_REFUSED)                                         \
    X(RECURSIVE_REF, "$recursiveRef", SHAPE_REFUSED)                                               \
    X(REF, "$ref", SHAPE_REFERENCE)                                                                \
    X(DRAFT, "$schema", SHAPE_DRAFT)                                                               \
    X(ADDITIONAL_ITEMS, "additionalItems", SHAPE_SCHEMA)                                           \
    X(ADDITIONAL_PROPERTIES, "additionalProperties", SHAPE_SCHEMA)                                 \
    X(ALL_OF, "allOf", SHAPE_SCHEMAS)                                                              \
    X(ANY_OF, "anyOf", SHAPE_SCHEMAS)                                                              \
    X(CONST, "const", SHAPE_ANY)                                                                   \
    X(CONTAINS, "contains", SHAPE_SCHEMA)                                                          \
    X(DEFINITIONS, "definitions", SHAPE_SCHEMA_MAP)                                                \
    X(DEPENDENCIES, "dependencies", SHAPE_DEPENDENCIES)                                            \
    X(DEPENDENT_REQUIRED, "dependentRequired", SHAPE_NAMES_MAP)                                    \
    X(DEPENDENT_SCHEMAS, "dependentSchemas", SHAPE_SCHEMA_MAP)                                     \
    X(ELSE, "else", SHAPE_SCHEMA)                                                                  \
    X(ENUM, "enum", SHAPE_ENUM)                                                                    \
    X(EXCLUSIVE_MAXIMUM, "exclusiveMaximum", SHAPE_NUMBER)                                         \
    X(EXCLUSIVE_MINIMUM, "exclusiveMinimum", SHAPE_NUMBER)                                         \
    X(IF, "if", SHAPE_SCHEMA)                                                                      \
    X(ITEMS, "items", SHAPE_ITEMS)                                                                 \
    X(MAX_CONTAINS, "maxContains", SHAPE_COUNT)                                                    \
    X(MAX_ITEMS, "maxItems", SHAPE_COUNT)                                                          \
    X(MAX_LENGTH, "maxLength", SHAPE_COUNT)                                                        \
    X(MAX_PROPERTIES, "maxProperties", SHAPE_COUNT)                                                \
    X(MAXIMUM, "maximum", SHAPE_NUMBER)                                                            \
    X(MIN_CONTAINS, "minContains", SHAPE_COUNT)                                                    \
    X(MIN_ITEMS, "minItems", SHAPE_COUNT)                                                          \
    X(MIN_LENGTH, "minLength", SHAPE_COUNT)                                                        \
    X(MIN_PROPERTIES, "minProperties", SHAPE_COUNT)                                                \
    X(MINIMUM, "minimum", SHAPE_NUMBER)                                                            \
    X(MULTIPLE_OF, "multipleOf", SHAPE_POSITIVE)                                                   \
    X(NOT, "not", SHAPE_SCHEMA)                                                                    \
    X(ONE_OF, "oneOf", SHAPE_SCHEMAS)                                                              \
    X(PATTERN, "pattern", SHAPE_PATTERN)                                                           \
    X(PATTERN_PROPERTIES, "patternProperties", SHAPE_PATTERN_MAP)                                  \
    X(PREFIX_ITEMS, "prefixItems", SHAPE_SCHEMAS)                                                  \
    X(PROPERTIES, "properties", SHAPE_SCHEMA_MAP)                                                  \
    X(PROPERTY_NAMES, "propertyNames", SHAPE_SCHEMA)                                               \
    X(REQUIRED, "required", SHAPE_NAMES)                                                           \
    X(THEN, "then", SHAPE_SCHEMA)                                                                  \
    X(TYPE, "type", SHAPE_TYPE)                                                                    \
    X(UNEVALUATED_ITEMS, "unevaluatedItems", SHAPE_SCHEMA)                                         \
    X(UNEVALUATED_PROPERTIES, "unevaluatedProperties", SHAPE_SCHEMA)                               \
    X(UNIQUE_ITEMS, "uniqueItems", SHAPE_BOOLEAN)

typedef enum keyword {
#define KEYWORD_ENUM(name, text, shape) KEY_##name,
    KEYWORDS(KEYWORD_ENUM)
#undef KEYWORD_ENUM
} keyword;
#define KEYWORD_COUNT (KEY_UNIQUE_ITEMS + 1)
static_assert(KEYWORD_COUNT <= 64, "a set of them is 64 bits");

const char *pw_schema_keyword(keyword k);
shape pw_schema_shape(keyword k);
bool pw_schema_find(pw_str name, keyword *out);

/* The way to a value or a rule: a chain on the C stack. */
typedef struct place {
    const struct place *up;
    const char *word; /* a keyword, or NULL: */
    pw_str key;       /* a member, or ptr NULL: */
    uint32_t index;   /* an item */
} place;
#define WORD(up_, keyword_) (&(place){ .up = (up_), .word = pw_schema_keyword(keyword_) })
#define MEMBER(up_, key_) (&(place){ .up = (up_), .key = (key_) })
#define ITEM(up_, index_) (&(place){ .up = (up_), .index = (uint32_t)(index_) })

typedef struct walk {
    const pw_schema_settings *settings;
    pw_arena *arena;
    pw_value root;
    uint64_t fuel;
    unsigned depth;
    unsigned quiet;   /* nobody asks why: within anyOf, not, ... */
    unsigned deepest; /* place of the last failure, counted from the value */
    pw_schema_problem *problem;
    pawl_code code;   /* behind a jump */
    pawl_error *err;
    jmp_buf end;
} walk;

/* Writes the problem, if somebody asks; false. */
bool pw_schema_fail(walk *w, const place *at, const place *rule, const char *format, ...)
    PW_PRINTF(4, 5);
/* The same, and it is the end. */
_Noreturn void pw_schema_stop(walk *w, const place *at, const place *rule, const char *format, ...)
    PW_PRINTF(4, 5);
void pw_schema_charge(walk *w, const place *at, const place *rule, uint64_t fuel);
bool pw_schema_matches(walk *w, const place *at, const place *rule, pw_str pattern, pw_str text);
/* JSON text of a value, cut where it is long. */
pw_str pw_schema_shown(walk *w, pw_value v);
/* What a reference names; PW_NONE: nothing in this document. */
pw_value pw_schema_resolve(walk *w, const place *rule, pw_str reference);
#endif
