/* sarif.h - findings as a SARIF 2.1.0 log (OASIS), which editors and code hosts read. */
#ifndef PW_SARIF_H
#define PW_SARIF_H

#include "cli/cli.h"

typedef struct sarif {
    pw_arena *arena;
    pw_array_builder results;
    uint32_t count;
} sarif;

/* `text` is the document, for its columns: a finding counts bytes, SARIF characters. */
void sarif_result(sarif *log, const char *path, pw_str text, const pawl_finding *finding);
/* `complete`: all files were read. */
pw_value sarif_end(sarif *log, bool complete);
#endif
