/* schema.h - JSON Schema: whether a value fits, and if not, where and why.
 *
 * Draft 2020-12. Keywords of draft-06, draft-07 and 2019-09 that it has renamed are read as well, whatever
 * `$schema` says: `definitions`, `dependencies`, an array in `items`, `additionalItems`; what stands beside `$ref`
 * holds in all of them. References stay within the document: nothing is fetched. `format` and the contents of
 * strings are annotations. Patterns are the caller's, who has the regular expressions.
 *
 * Pure; C recursion, memory and work are bounded by the limits below. */
#ifndef PW_SCHEMA_H
#define PW_SCHEMA_H

#include "base/value.h"

#define PW_SCHEMA_DEPTH_MAX 256u       /* schemas within schemas, by nesting or by reference */
#define PW_SCHEMA_FUEL 10000000u       /* of one validation: keywords, members, items, 16 bytes of text each */

/* Whether some part of `text` matches `pattern`. *cost: what it took, as fuel. PAWL_OK; PAWL_NO_MEMORY; any other: the
 * pattern cannot be used, and err->message says why. */
typedef pawl_code (*pw_schema_match_fn)(void *context, pw_str pattern, pw_str text, bool *found,
                                        uint64_t *cost, pawl_error *err);

typedef struct pw_schema_settings {
    pw_schema_match_fn match;
    void *context;
    uint64_t fuel; /* 0: PW_SCHEMA_FUEL */
} pw_schema_settings;

/* The first thing that does not fit. In the arena. */
typedef struct pw_schema_problem {
    pw_str at;      /* JSON pointer into the value; empty: the whole */
    pw_str rule;    /* JSON pointer into the schema, through references: "/properties/age/minimum" */
    pw_str message; /* behind the name of the place: "must be at least 18, not 17" */
} pw_schema_problem;

/* PAWL_OK: it fits. PAWL_INVALID: it does not, or it takes more than the limits; see *out. PAWL_NO_MEMORY. A schema that
 * pw_schema_check would refuse is read as far as it makes sense. */
PAWL_CHECK pawl_code pw_schema_validate(pw_schema_problem *out, pw_value schema, pw_value value,
                                        const pw_schema_settings *settings, pw_arena *arena,
                                        pawl_error *err);

/* Whether it is a schema that this validator knows all of: values of keywords, references, patterns. `at` and `rule`
 * are both the place in the schema. */
PAWL_CHECK pawl_code pw_schema_check(pw_schema_problem *out, pw_value schema,
                                     const pw_schema_settings *settings, pw_arena *arena,
                                     pawl_error *err);

/* "'/age' must be at least 18, not 17"; of the whole: "<whole> must be ...". In the arena. */
pw_str pw_schema_words(const pw_schema_problem *problem, const char *whole, pw_arena *arena);
#endif
