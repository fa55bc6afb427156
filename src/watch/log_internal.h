/* log_internal.h - between the log's queue (log.c) and the text of its lines (log_text.c). */
#ifndef PW_LOG_INTERNAL_H
#define PW_LOG_INTERNAL_H

#include "watch/log.h"

/* The line as it is written, with its newline, into `out` of PW_LOG_LINE_MAX bytes; a field that has no place is left out, and the
 * line says so. now_ms: since the epoch. Format is not AUTO. */
size_t pw_log_text(char *out, pw_log_format format, int64_t now_ms, const pw_log_line *line, const char *message);
#endif
