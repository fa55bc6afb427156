/* log.h - what the process says of itself, line by line: JSON, for people, or for journald.
 *
 * Not the execution log, which is data. The log is the process's: who links the library hears nothing until it asks
 * (pawl_logging). A line is never waited for: what the reader does not take in time is dropped, counted, and said in the
 * next line that it takes.
 *
 * Every line about an instance has its id and, where they are known, its correlation and trace. Payloads (inputs, outputs,
 * bodies, headers, answers of people) and secrets are never in a line: a field is a name, a number, an id, a task, a type, a
 * host. The message of an error may quote data; it is cut, and of a URI the user, password and query are left out.
 *
 * Threads    Any. Errors: none; a log that cannot be written is no reason to fail. */
#ifndef PW_LOG_H
#define PW_LOG_H

#include "base/base.h"

typedef enum pw_log_level { PW_LOG_OFF, PW_LOG_ERROR, PW_LOG_WARNING, PW_LOG_INFO, PW_LOG_DEBUG } pw_log_level;

typedef struct pw_log_field {
    const char *name;          /* camelCase, of a fixed set: never data */
    enum { PW_LOG_TEXT, PW_LOG_NUMBER, PW_LOG_REAL, PW_LOG_BOOL } type;
    pw_str text;
    int64_t number;
    double real;
} pw_log_field;
#define PW_LOG_S(name, text) (pw_log_field){ (name), PW_LOG_TEXT, (text), 0, 0 }
#define PW_LOG_N(name, number) (pw_log_field){ (name), PW_LOG_NUMBER, { "", 0 }, (int64_t)(number), 0 }

typedef struct pw_log_line {
    pw_log_level level;
    const char *component;     /* "engine", "outbox", "http", "store", "timers", "cleanup", "server" ... */
    const char *event;         /* "instance.faulted", "breaker.opened": fixed words, for who filters; in doc/logging.md */
    pw_str instance, correlation, trace; /* empty: not about an instance; not known */
    const pw_log_field *fields;
    size_t field_count;
} pw_log_line;

/* Is a line of that level and component wanted? Cheap (one relaxed load where nothing below INFO is wanted): asked before a
 * line is made. */
bool pw_log_wants(pw_log_level level, const char *component);
void pw_log(const pw_log_line *line, const char *format, ...) PW_PRINTF(2, 3);
/* A line about no instance, if it is wanted. */
#define PW_LOG(level, component, event, ...)                                                                        \
    do {                                                                                                            \
        if (pw_log_wants((level), (component)))                                                                     \
            pw_log(&(const pw_log_line){ (level), (component), (event), { "", 0 }, { "", 0 }, { "", 0 }, NULL, 0 }, \
                   __VA_ARGS__);                                                                                    \
    } while (0)
/* The same about one. `instance` and so on are pw_str. */
#define PW_LOG_OF(level, component, event, instance, correlation, trace, ...)                                      \
    do {                                                                                                           \
        if (pw_log_wants((level), (component)))                                                                    \
            pw_log(&(const pw_log_line){ (level), (component), (event), (instance), (correlation), (trace), NULL, 0 }, \
                   __VA_ARGS__);                                                                                   \
    } while (0)

/* ---- the log itself: engine/logging.c gives it to the public header */

#define PW_LOG_LINE_MAX 4096      /* bytes of a line with its newline: a pipe takes so many at once, or none */
#define PW_LOG_LEVELS_MAX 512     /* of the text of all levels */
#define PW_LOG_SAME_MAX 100       /* lines of one event in PW_LOG_SAME_S seconds; more are summed up (not at debug) */
#define PW_LOG_SAME_S 10

typedef enum pw_log_format { PW_LOG_AUTO, PW_LOG_JSON, PW_LOG_HUMAN, PW_LOG_JOURNAL } pw_log_format;
typedef struct pw_log_options {
    const char *levels;        /* "info,http=debug"; NULL: "info" */
    pw_log_format format;
    int fd;
    void (*on_line)(void *context, const char *line); /* instead, by a thread of the log; NULL: none */
    void *context;
    const char *journal;       /* the socket of journald; NULL: where it is */
} pw_log_options;
/* PAWL_CONFLICT: it is on already. */
PAWL_CHECK pawl_code pw_log_start(const pw_log_options *options, pawl_error *err);
PAWL_CHECK pawl_code pw_log_set_levels(const char *levels, pawl_error *err);
void pw_log_levels(char out[PW_LOG_LEVELS_MAX]); /* "off" before it is on */
/* Writes what is left, at most two seconds long. One that is not on: nothing. */
void pw_log_stop(void);
bool pw_log_level_of(pw_log_level *out, pw_str word);
const char *pw_log_level_name(pw_log_level level);

/* For metrics: lines by level, and those that were dropped. */
typedef struct pw_log_counts {
    uint64_t lines[PW_LOG_DEBUG + 1], dropped;
} pw_log_counts;
void pw_log_count(pw_log_counts *out);
#endif
