/* command.h - one command that is being carried out, for the files that hold commands (command_*.c): what it was asked
 * with, and what comes of it.
 *
 * Members are read one after the other; the first mistake is kept, and pw_cmd_read() gives it:
 *
 *     const char *id = pw_cmd_needed(c, "id"), *reason = pw_cmd_text(c, "reason");
 *     pawl_code code = pw_cmd_read(c, err);
 *     return code == PAWL_OK ? pawl_change_with(c->p, id, ..., &c->result_text, err) : code;                  */
#ifndef PW_COMMAND_H
#define PW_COMMAND_H

#include "base/json.h"
#include "server/server.h"

typedef struct pw_cmd {
    pawl *p;
    pw_arena arena;
    pw_value request;  /* the command, a JSON object */
    pawl_request asked; /* who asks, and how */
    pawl_error mistake; /* the first, of its members */
    pw_stop_fn stop;    /* NULL: nobody to ask */
    void *stop_context;

    pw_value result;    /* for "ok"; PW_NONE: result_text holds it */
    char *result_text;  /* JSON of the API, to pawl_free() */
    pw_array_builder findings; /* beside it */
} pw_cmd;

#define PW_CMD_MEMBERS 16

typedef struct pw_cmd_entry {
    pw_command_about about;
    const char *members[PW_CMD_MEMBERS]; /* that it knows beside those of a request; NULL ends them */
    pawl_code (*run)(pw_cmd *c, pawl_error *err);
    bool once; /* its answer cannot be given twice: an idempotency key is refused */
} pw_cmd_entry;

typedef struct pw_cmd_table {
    const pw_cmd_entry *entries;
    size_t count;
} pw_cmd_table;

extern const pw_cmd_table pw_commands_actions;     /* command_actions.c */
extern const pw_cmd_table pw_commands_bulk;        /* command_bulk.c */
extern const pw_cmd_table pw_commands_definitions; /* command_definitions.c */
extern const pw_cmd_table pw_commands_incidents;   /* command_incidents.c */
extern const pw_cmd_table pw_commands_instances;   /* command_instances.c */
extern const pw_cmd_table pw_commands_letters;     /* command_letters.c */
extern const pw_cmd_table pw_commands_people;      /* command_people.c */
extern const pw_cmd_table pw_commands_jobs;        /* command_jobs.c */
extern const pw_cmd_table pw_commands_store;       /* command_store.c */

/* ---- members; of one that is absent or null: NULL, 0, false. Text lives as long as the command. */
const char *pw_cmd_text(pw_cmd *c, const char *name);
const char *pw_cmd_needed(pw_cmd *c, const char *name);        /* text that must be there */
const char *pw_cmd_json(pw_cmd *c, const char *name);          /* of any type, as JSON text; null is "null" */
const char *pw_cmd_typed(pw_cmd *c, const char *name, pw_type type); /* the same, of PW_OBJECT or PW_ARRAY only */
uint64_t pw_cmd_number(pw_cmd *c, const char *name, uint64_t most);
double pw_cmd_real(pw_cmd *c, const char *name);               /* not negative */
bool pw_cmd_flag(pw_cmd *c, const char *name);
int64_t pw_cmd_moment(pw_cmd *c, const char *name);            /* RFC 3339 text */
const char *const *pw_cmd_texts(pw_cmd *c, const char *name, size_t *count); /* an array of strings */
void pw_cmd_refuse(pw_cmd *c, pawl_code code, const char *format, ...) PW_PRINTF(3, 4); /* if it is the first mistake */
PAWL_CHECK pawl_code pw_cmd_read(pw_cmd *c, pawl_error *err);

/* ---- what comes of it */
/* Copies text of the API, which is freed; to the arena. NULL: no memory. */
pw_value pw_cmd_own(pw_cmd *c, char *text);
/* The JSON that the API gave last (result_text) as a value. */
PAWL_CHECK pawl_code pw_cmd_result(pw_cmd *c, pw_value *out, pawl_error *err);
void pw_cmd_finding(void *cmd, const pawl_finding *finding); /* a pawl_finding_fn */
#endif
