/* cli.h - what the commands of `pawl` share: options, output, input, and a way to the store.
 *
 * A command is one file with one function: (cli) gives an exit code. It sees the public API and
 * base, nothing else. Memory is one arena that lives as long as the process; a guard in main ends
 * the program when it runs out, so that no command checks for it. */
#ifndef PW_CLI_H
#define PW_CLI_H

#include "base/base.h"
#include "base/json.h"
#include "base/near.h"

/* One table in the manual (doc/cli.md). 130 and 143: stopped by SIGINT, SIGTERM. */
enum {
    EXIT_DONE = 0,    /* completed, or what was asked for is done */
    EXIT_FAULTED = 1, /* faulted, cancelled, compensated; an expression failed */
    EXIT_USAGE = 2,   /* usage, definition or input */
    EXIT_TROUBLE = 3, /* store or system */
    EXIT_WAITING = 4, /* waiting or suspended */
};

typedef struct cli_app cli_app;

/* ------------------------------------------------------------------ options (options.c) */

typedef struct cli_option {
    const char *name;   /* without dashes */
    const char *value;  /* what the help calls its value; NULL: a flag */
    const char *value2; /* the second value; NULL: one. Such an option may be repeated */
    const char *help;   /* one line */
    const char *words;  /* what the value may be, for completion, with blanks between; NULL: anything */
    bool many;          /* may be repeated */
} cli_option;

enum { CLI_OPTIONS_MAX = 32 };

/* Where `pawl help` lists a command. X(name, title), in that order */
#define CLI_GROUPS(X)                                                                              \
    X(INSTANCES, "Instances")                                                                      \
    X(INCIDENTS, "What goes wrong")                                                                \
    X(PEOPLE, "People and messages")                                                               \
    X(DEFINITIONS, "Definitions")                                                                  \
    X(WORKERS, "Workers")                                                                          \
    X(SERVER, "Server and store")                                                                  \
    X(TOOLS, "Tools")

typedef enum cli_group {
    CLI_GROUP_NONE = 0, /* listed with the tools */
#define CLI_GROUP_ENUM(name, title) CLI_GROUP_##name,
    CLI_GROUPS(CLI_GROUP_ENUM)
#undef CLI_GROUP_ENUM
} cli_group;

typedef struct cli_command {
    const char *name;
    const char *positionals; /* for the usage line: "FILE..." */
    uint32_t least, most;    /* positionals */
    const char *summary;     /* one line */
    const char *text;        /* what it does, in paragraphs */
    const char *examples;    /* lines */
    const char *exits;       /* exit codes it may end with, in words; NULL: the whole table */
    bool has_store;          /* takes --db, and --server unless it is */
    bool local;              /* works on the store itself only */
    cli_group group;
    int (*run)(cli_app *cli);
    const cli_option *options;
    uint32_t option_count;
} cli_command;

typedef struct cli_given { /* an option on the command line, in its order */
    const char *name, *value, *value2;
} cli_given;

struct cli_app {
    pw_arena arena;
    const cli_command *command;
    const char **positionals;
    uint32_t positional_count;
    cli_given *given;
    uint32_t given_count;
    const char *db;     /* --db, or PAWL_DB; NULL: none, or a server */
    const char *server; /* --server, or PAWL_SERVER; NULL: none. Never both */
    bool store_from_environment;
    struct pawl_config *config; /* see cli_config() */
    bool json, help;
};

/* Reads the command line behind the command's name. False: a message was printed; usage. */
bool cli_parse(cli_app *cli, int argc, char **argv);
/* Reads what stands before the command's name: common options only. Gives the index of the name,
 * `argc` if there is none, 0 after a message. */
int cli_parse_before(cli_app *cli, int argc, char **argv);
/* The common options, which may also stand before the command's name. */
extern const cli_option cli_common_options[];
extern const uint32_t cli_common_option_count;
bool cli_takes(const cli_command *command, const cli_option *common);
const char *cli_value(const cli_app *cli, const char *name); /* NULL: not given */
bool cli_flag(const cli_app *cli, const char *name);
/* A whole number within the bounds; `otherwise` if not given. False: a message was printed. */
bool cli_number(const cli_app *cli, const char *name, uint64_t least, uint64_t most,
                uint64_t otherwise, uint64_t *out);
/* A length of time ("30s", "24h", "90d") in ms; `otherwise` if not given. False: a message was printed. */
bool cli_time(const cli_app *cli, const char *name, uint64_t otherwise, uint64_t *out);

/* ------------------------------------------------------------------ output (out.c)
 * Standard output is buffered here, so that a failed write is noticed wherever it happens: a closed
 * pipe ends the output quietly, anything else ends the program with EXIT_TROUBLE. */

void out_bytes(const void *bytes, size_t len);
void out_text(const char *text);
void out_str(pw_str s);
void out_printf(const char *format, ...) PW_PRINTF(1, 2);
void out_json(pw_value v, unsigned style); /* and a newline */
/* Text from outside for people: control characters are escaped, so that data cannot drive the
 * terminal. */
void out_safe(pw_str s);
/* Writes what is there, for who waits for it. False: nobody can read it any more. */
bool out_now(void);
/* Writes what is left. `code`, or EXIT_TROUBLE with a message if standard output failed. */
int out_end(int code);

/* "pawl COMMAND: message" on stderr, or {"error":{"code","message"}} with --json; gives `code`. */
int cli_fail(const cli_app *cli, int code, const char *format, ...) PW_PRINTF(3, 4);
/* The same of an error of the library; the exit code follows from its code. */
int cli_fail_error(const cli_app *cli, const pawl_error *err);
int cli_exit_of(pawl_code code);
/* A line on stderr, its text made safe for terminals. */
void cli_note(const char *format, ...) PW_PRINTF(1, 2);
/* What the answer to a start warns of, if anything. */
void cli_warn(const cli_app *cli, pw_value answer);
/* A problem or error object on stderr, as JSON. */
void cli_error_object(pw_value error);
/* `s` as one word of a shell command line. */
pw_str cli_quoted(pw_arena *arena, pw_str s);
/* Text in which control characters are escaped. */
pw_str cli_safe(pw_arena *arena, pw_str s);

/* ------------------------------------------------------------------ input (input.c) */

/* The whole file; "-" is standard input. Not EXIT_DONE: a message was printed. */
int cli_read_file(cli_app *cli, const char *path, size_t most, pw_str *out);
/* JSON|@FILE|@- of the option `name`, checked and compact; `*out` is PW_NONE if it is not given. */
int cli_json_option(cli_app *cli, const char *name, pw_value *out);
/* The same of what is given, which `what` names in the message. */
int cli_json_given(cli_app *cli, const char *what, const char *given, pw_value *out);
/* Checks the text as JSON. `what` names it in the message. */
int cli_json_text(cli_app *cli, const char *what, pw_str text, pw_value *out);
/* Findings of `path` go to stderr; EXIT_USAGE if one is an error. Counts what was found. */
int cli_check_definition(cli_app *cli, const char *path, pw_str text);
/* --actor, or the user's name. */
const char *cli_actor(cli_app *cli);
int64_t cli_now_ms(void); /* since the epoch */

/* ------------------------------------------------------------------ commands as JSON (request.c)
 * What a command of ours asks for is one of those that doc/api.md lists, with its members. */

typedef pw_object_builder cli_request;

void request_begin(cli_app *cli, cli_request *request, const char *command);
void request_add(cli_request *request, const char *member, pw_value value); /* PW_NONE: nothing */
void request_text(cli_request *request, const char *member, const char *text); /* NULL: nothing */
void request_option(cli_app *cli, cli_request *request, const char *name); /* its text, if given */
/* What --NAME A=B says, each time it is given, as an object. Not EXIT_DONE: a message was printed. */
int request_pairs(cli_app *cli, cli_request *request, const char *member, const char *name);
/* Each text of an option that may be repeated, as an array. */
void request_texts(cli_app *cli, cli_request *request, const char *member, const char *name);
/* Who asks and how: --actor, --idempotency-key, --if-token. Not EXIT_DONE: a message was printed. */
int request_who(cli_app *cli, cli_request *request);

/* The options of request_who(). */
// clang-format off
#define CLI_ACTOR(what) { "actor", "NAME", NULL, "who " what ", for the log; else the user's name; not with a server, which knows" }
#define CLI_KEY { "idempotency-key", "KEY", NULL, "the same key again, within a day, gives the first answer, and has no second effect" }
#define CLI_REASON { "reason", "TEXT", NULL, "why, for the log" }
#define CLI_DRY_RUN { "dry-run", NULL, NULL, "do nothing: say what would change, and what would be called, opened and closed" }
#define CLI_NO_WAIT { "no-wait", NULL, NULL, "end as soon as it is committed" }
#define CLI_UNTIL { "until", "WHAT", NULL, "drive until it is idle (the default), settled, or at its end", "idle settled end" }
#define CLI_IF_TOKEN { "if-token", "N", NULL, "refuse if the instance is not at this token any more, as `pawl show` prints it" }
// clang-format on

/* ------------------------------------------------------------------ the store (session.c) */

typedef struct cli_remote cli_remote;

typedef struct cli_session cli_session;
struct cli_session {
    cli_app *cli;
    const char *store;
    cli_remote *remote; /* commands go to a server */
    pawl *p; /* NULL, and no remote: another process owns the store; commands go to its socket */
    pawl_control *control;
    bool look;       /* only to look: beside any owner */
    bool ask_owner;  /* ... who is asked first, and if it says nothing in time we look ourselves */
    bool never_own;  /* only by the owner's socket */
    bool create;
    bool long_lived; /* others will want to send commands: say so when they cannot */
    const struct pawl_config *config; /* what a store is opened with, if we come to own it */
    uint64_t job_lease_ms; /* the same; 0: as configured */
    void (*on_step)(void *context, const char *entries);
    void *on_step_context;
    /* Between the slices of session_wait(), and at its end, if another process drives the instance. */
    void (*on_slice)(struct cli_session *session, pw_str id);
    pw_value findings; /* that came with the last answer; PW_NONE: none */
};

/* The store cli->db is of a kind that this release has. False: a message was printed. */
bool cli_knows_store(const cli_app *cli);
/* Owns the store, or finds its owner, or its server. Not EXIT_DONE: a message was printed. */
int session_open(cli_session *session);
void session_close(cli_session *session);
/* Carries out one command, here or at the owner. *out is what "ok" holds. On an answer that is an
 * error: its code, with err filled; nothing was printed. */
pawl_code session_call(cli_session *session, pw_value request, pw_value *out, pawl_error *err);
/* Publishes the definition in `text`; *out is as pawl_deploy documents it. Not EXIT_DONE: findings
 * or a message were printed. */
int session_deploy(cli_session *session, const char *path, pw_str text, pw_value *out);
/* Waits until the instance is where `what` ("end", "settled", "idle") says, or a signal came. */
pawl_code session_wait(cli_session *session, pw_str id, const char *what, pw_value *out,
                       pawl_error *err);
/* Waits a while for the instance to have another token. PAWL_TIMEOUT: it has not yet. */
pawl_code session_wait_moved(cli_session *session, pw_str id, int64_t token, pawl_error *err);
/* How long one command may wait without keeping us from noticing a signal. */
uint64_t session_slice_ms(const cli_session *session);
/* What the whole store has to do before its next timer, person or message; if we own it. */
void session_drain(cli_session *session);

/* A command that asks one thing and prints the answer, as JSON or by `print`. */
typedef enum cli_way {
    CLI_LOOK,
    CLI_ASK_OWNER, /* looks, but lets the owner say what only it knows, if there is one */
    CLI_CHANGE,
    CLI_CREATE, /* makes the store if there is none */
} cli_way;
int cli_ask(cli_app *cli, cli_way way, pw_value request, void (*print)(cli_app *cli, pw_value answer));
/* How to see the page behind, if there is one. */
void cli_say_more(cli_app *cli, pw_value page);

/* SIGINT or SIGTERM came: its number, else 0. */
int cli_interrupted(void);
void cli_catch_signals(void);
/* How many came. One more than `most` ends the program at once; 1. */
int cli_signals(void);
void cli_hear_signals(int most);

/* ------------------------------------------------------------------ people (print.c) */

/* One instance, as pawl_show gives it, in sections. */
void print_instance(cli_app *cli, pw_value instance);
/* One line per thing that the instance waits for, each with the command that moves it. */
void print_waits(cli_app *cli, pw_value instance, void (*line)(pw_str text));
/* The lines of one step of the log. */
void print_step(cli_app *cli, pw_value step, pw_str prefix, void (*line)(pw_str text));
/* One of many: its name and value on a line, nothing without a value; a value as JSON below a title; a line moved in. */
void print_field(cli_app *cli, const char *name, pw_str value);
void print_section(const char *title, pw_value v);
void print_indented(pw_str text);
void print_line_out(pw_str text);
void print_line_note(pw_str text);
/* " --db STORE" or " --server URL", or nothing if the environment says it. */
pw_str cli_store_words(cli_app *cli);
/* At most `width` bytes of valid text, cut between characters. */
pw_str cli_cut(cli_app *cli, pw_str s, size_t width);
/* The exit code that a status means. */
int cli_exit_of_status(pw_str status);
/* After a command that changed an instance: prints where it stands, gives the exit code. */
int cli_finish(cli_app *cli, pw_value instance);
/* What would be, as a command with dryRun answers it; `before`: the instance as pawl_show gives it; PW_NONE: not known. */
void print_dry_run(cli_app *cli, pw_value answer, pw_value before);
/* What an instance has done outside, as a table, or nothing. */
void print_effects(cli_app *cli, pw_value effects);
/* Its compensation plan: a table of its steps, in the order in which they are carried out. */
void print_plan(cli_app *cli, pw_value plan);
/* One line for each thing that can be done about an incident, of which `undo` steps could be undone. */
void print_ways(cli_app *cli, pw_value incident, int64_t undo, void (*line)(pw_str text));

/* ------------------------------------------------------------------ moving an instance (change.c)
 */

/* --until and --no-wait: "idle", "settled", "end", or NULL, which --dry-run means, too. Not EXIT_DONE: a message was
 * printed. */
int cli_until(cli_app *cli, const char **out);
/* Drives the instance that the answer to a command names until it is there, prints where it stands. The exit code
 * follows its status, unless what was asked for is done with the commit. */
int cli_drive(cli_session *session, pw_value answer, const char *until, bool done_is_done);
/* The whole of a command that changes an instance; with --dry-run, of one that does not. */
int cli_change(cli_app *cli, cli_request *request, const char *until, bool done_is_done);
/* Starts an instance, with the options that `run` and `start` share; *out is the answer. Not EXIT_DONE:
 * a message was printed. `version` empty: the newest. */
int cli_start(cli_session *session, const char *name, pw_str version, pw_value input, pw_value *out);
// clang-format off
#define CLI_START_OPTIONS                                                                                                       \
    { "label", "NAME=VALUE", NULL, "to find it by, with `pawl ls --label`; may be repeated", .many = true },                   \
    { "at", "TIME", NULL, "not before this instant, 2026-12-24T18:00:00Z, or so long from now, 2h; it is pending until then" }, \
    { "correlation", "ID", NULL, "correlation id, for the log and for events; else the instance's id" },                        \
    CLI_ACTOR("starts it"), CLI_KEY
// clang-format on

/* ------------------------------------------------------------------ the commands */

extern const cli_command command_run, command_deploy, command_start, command_ls, command_show,
    command_log, command_why, command_doctor, command_health, command_resume, command_send, command_cancel, command_suspend, command_continue, command_delete, command_migrate,
    command_backup, command_restore, command_check,
    command_incidents, command_incident, command_retry, command_skip, command_goto, command_edit, command_fail, command_compensate,
    command_rewind, command_fork, command_effects, command_bulk, command_calls, command_breakers, command_breaker, command_deadletter, command_sinks,
    command_tasks, command_complete, command_claim, command_release, command_delegate, command_comment, command_bookmarks,
    command_token, command_jobs,
    command_definitions, command_schedules, command_definition, command_deprecate, command_archive, command_validate,
    command_graph, command_worker, command_schema, command_eval, command_completion, command_config, command_serve,
    command_help, command_version,
    command_metrics, command_log_level, command_cleanup;
extern const cli_command *const cli_commands[]; /* by group, in the order of the help */
extern const uint32_t cli_command_count;
void help_command(const cli_command *command); /* on standard output */
void help_all(void);
extern const char help_exit_table[];
extern const char *const help_group_titles[]; /* by group; [0] is none */
extern const size_t help_group_count;
/* A page of the manual (man.c); NULL: that of `pawl` itself. */
int print_man(cli_app *cli, const cli_command *command);
#endif
