/* lang.h - a workflow document (YAML or JSON) becomes a checked, immutable program. */
#ifndef PW_LANG_H
#define PW_LANG_H

#include "core/program.h"

#define PW_DOCUMENT_MAX (16u << 20) /* bytes */
#define PW_FINDINGS_MAX 100u        /* more are counted, not listed */

typedef struct pw_finding {
    uint32_t line, column; /* from 1; columns count bytes; 0: not known */
    pawl_finding_kind kind;
    bool is_error;  /* follows from the kind */
    pw_str pointer; /* JSON pointer; empty: the whole document */
    pw_str message; /* what is wrong, and what would be right; NUL-terminated, like pointer */
} pw_finding;

typedef struct pw_findings {
    pw_arena *arena;   /* where they live; given by the caller */
    pw_finding *items; /* in the order of the document */
    uint32_t count, size;
    uint32_t errors; /* all, listed or not */
    bool portable;   /* given by the caller: also what only this engine understands */
} pw_findings;

const char *pw_finding_code(pawl_finding_kind kind); /* "unknown-member" */
const char *pw_finding_advice(pawl_finding_kind kind);
/* The JSON Schema of what may stand below `metadata.pawl`. */
const char *pw_lang_metadata_schema(void);

/* Checks the whole document and reports all that is wrong in one pass. PAWL_INVALID: there is an
 * error (the first one is err's message, as "line L, column C: ..."); *out is untouched. The
 * program has one reference. */
PAWL_CHECK pawl_code pw_lang_load(pw_program **out, pw_str text, pw_findings *findings,
                                  pawl_error *err);
#endif
