/* regex_internal.h - how far a pattern may run: what a search is charged by. For src/expr only. */
#ifndef PW_EXPR_REGEX_INTERNAL_H
#define PW_EXPR_REGEX_INTERNAL_H

#include "base/base.h"

/* How many atoms that repeat a path through the pattern meets, by what they run over. */
typedef struct pw_regex_reach {
    size_t fixed;                /* bytes of what does not repeat */
    uint32_t solid, space, line; /* no white space; white space only; no line feed */
    uint32_t times;              /* groups that repeat so often */
    bool everything;             /* may run over all the text */
} pw_regex_reach;

typedef struct pw_text_runs { /* the longest stretches, in bytes */
    size_t solid, space, line;
} pw_text_runs;

pw_regex_reach pw_regex_reach_of(pw_str pattern, bool dot_all, bool extended);
pw_text_runs pw_text_runs_of(pw_str text);
size_t pw_regex_run(const pw_regex_reach *reach, const pw_text_runs *text); /* bytes; SIZE_MAX */

#endif
