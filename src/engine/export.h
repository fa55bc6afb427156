/* export.h - rows that are about to be deleted, as lines of JSON in a file of their own. The file is made with the first row; what was
 * written is on disk when flush comes back. A crash leaves rows that were written and not deleted: they are written again by the
 * next run, into its file. The last line of a file may be torn then. */
#ifndef PW_EXPORT_H
#define PW_EXPORT_H

#include "base/base.h"

typedef struct pw_export {
    const char *folder;
    int64_t now_ms;      /* names the file */
    char *path;          /* NULL: not yet */
    int fd;
    uint64_t bytes, synced; /* of the file */
    bool failed;         /* the file, not who deletes */
    pw_buf buf;          /* not yet written */
} pw_export;

void pw_export_init(pw_export *e, const char *folder, int64_t now_ms);
/* As of pw_clean: `context` is the pw_export. PAWL_IO: the message names the file. */
pawl_code pw_export_row(void *context, pw_str json, pawl_error *err);
pawl_code pw_export_flush(void *context, pawl_error *err);
void pw_export_done(pw_export *e);
/* The folder is there, and may be written. PAWL_INVALID. */
PAWL_CHECK pawl_code pw_export_check(const char *folder, pawl_error *err);
#endif
