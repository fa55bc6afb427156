/* pawl/pawl.h - run workflow instances so that they survive a crash.
 *
 * Threads    A pawl may be used from any thread. Activity functions run on threads of the
 *            library's own pool and may take as long as they need, within their deadline.
 * Ownership  `pawl **out` gives the caller a new object: release it with pawl_close(). Text
 *            that comes back as `char **` is the caller's: release it with pawl_free(). A const
 *            result belongs to the object asked. Inputs are copied.
 * Text       All text is UTF-8 and NUL-terminated; JSON in and out is one value as text.
 * Errors     A function that can fail returns a pawl_code. On failure *err (if not NULL)
 *            says what happened and what to do, and no output is touched unless said here.
 * Times      Milliseconds; instants count from the Unix epoch, UTC. */
#ifndef PAWL_PAWL_H
#define PAWL_PAWL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define PAWL_API __attribute__((visibility("default")))
#define PAWL_CHECK __attribute__((warn_unused_result))
#else
#define PAWL_API
#define PAWL_CHECK
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A code exists because a caller acts on it. X(name, text, what the caller does) */
#define PAWL_CODES(X)                                                                              \
    X(OK, "ok", "nothing: it is done and, if it changes anything, committed")                      \
    X(INVALID, "invalid", "mend the input: the message says where")                                \
    X(NOT_FOUND, "not-found", "check the name")                                                    \
    X(CONFLICT, "conflict", "somebody else was first: read again, then decide")                    \
    X(STATE, "state", "not possible in the present state of the instance")                         \
    X(BUSY, "busy", "try again later, or use the process that owns the store")                     \
    X(TIMEOUT, "timeout", "wait again, or longer")                                                 \
    X(IO, "io", "mend the disk, file or service the message names, then try again")                \
    X(LOST, "lost", "drop the work: it belongs to somebody else now")                              \
    X(CORRUPT, "corrupt", "restore from a backup: stored data cannot be read")                     \
    X(NO_MEMORY, "no-memory", "free memory, or lower the limits")                                  \
    X(SCHEMA, "schema", "run `pawl migrate`, or a newer program")                                  \
    X(EXPRESSION, "expression", "mend the expression or its input")

typedef enum pawl_code {
#define PAWL_CODE_ENUM(name, text, action) PAWL_##name,
    PAWL_CODES(PAWL_CODE_ENUM)
#undef PAWL_CODE_ENUM
} pawl_code;

/* "ok", "invalid", ...; never NULL. */
PAWL_API const char *pawl_code_name(pawl_code code);

/* What went wrong, in the caller's memory. */
typedef struct pawl_error {
    pawl_code code;
    int native;       /* SQLite, CURLcode or errno value; 0: none */
    const char *file; /* where in the library it was noticed */
    int line;
    char message[480]; /* one sentence, and the way out */
} pawl_error;

/* "0.1.0" */
PAWL_API const char *pawl_version(void);

/* Releases text that the library gave. NULL is fine. */
PAWL_API void pawl_free(void *text);

typedef struct pawl pawl;

/* ------------------------------------------------------------------ activities */

/* One attempt of a `call: <function>` in this process. Valid until the function returns. */
typedef struct pawl_activity pawl_activity;

/* The work. `input` is JSON (the task's `with`). Returns PAWL_OK and a result as JSON set by
 * pawl_activity_return() (without one: null), or another code and a reason set by
 * pawl_activity_fail(). It may run again for the same idempotency key: after a crash, or after
 * a try/retry of the workflow. */
typedef pawl_code (*pawl_activity_fn)(pawl_activity *activity, const char *input, void *context);

typedef struct pawl_activity_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *name;       /* what `call:` says; required */
    pawl_activity_fn run;   /* required */
    void *context;          /* handed to run */
    uint64_t deadline_ms;   /* one attempt; 0: 300000 (ActivityExecution) */
    uint64_t heartbeat_ms;  /* longest silence between heartbeats; 0: none are expected */
} pawl_activity_options;

/* All four: text stays valid as long as the attempt. */
PAWL_API const char *pawl_activity_instance(const pawl_activity *activity);
PAWL_API const char *pawl_activity_task(const pawl_activity *activity); /* JSON pointer */
PAWL_API uint32_t pawl_activity_attempt(const pawl_activity *activity); /* from 1 */
PAWL_API const char *pawl_activity_idempotency_key(const pawl_activity *activity);
/* The result as JSON text; copied. PAWL_INVALID if it is no JSON. */
PAWL_API PAWL_CHECK pawl_code pawl_activity_return(pawl_activity *activity, const char *json,
                                                   pawl_error *err);
/* The error that the workflow sees: status as in HTTP (0: 500), title and detail; NULL: none.
 * Always returns PAWL_INVALID, so that `return pawl_activity_fail(...)` ends the activity. */
PAWL_API pawl_code pawl_activity_fail(pawl_activity *activity, int status, const char *title,
                                      const char *detail);
/* Nonzero once nobody waits for the result any more: cancelled, timed out, or closing. */
PAWL_API int pawl_activity_cancelled(const pawl_activity *activity);
/* "Still at work." Returns what pawl_activity_cancelled would. */
PAWL_API int pawl_activity_heartbeat(pawl_activity *activity);

/* ------------------------------------------------------------------ open and close */

typedef enum pawl_mode {
    PAWL_OWN = 0,  /* own the store: recover, drive, accept commands */
    PAWL_READ = 1, /* only look; works while another process owns the store */
} pawl_mode;

typedef struct pawl_options { /* zero means default; new fields go at the end */
    size_t struct_size;    /* bytes the caller knows of; set by pawl_options_default() */
    const char *store;     /* "sqlite:PATH", a path, or "memory:"; required */
    pawl_mode mode;
    uint32_t step_threads; /* 0: one per core, at most 64 */
    uint32_t activity_threads;   /* 0: 16; at most 1024 */
    uint32_t http_in_flight;     /* 0: 256 requests at once */
    uint64_t http_timeout_ms;    /* one attempt of one HTTP call; 0: 60000 (ExternalHttpCall) */
    const pawl_activity_options *activities; /* known before recovery starts */
    size_t activity_count;
    int create;            /* nonzero: make the store if there is none, and migrate an old one */
    uint64_t (*now_ms)(void *clock); /* NULL: system clock */
    void *clock;
    /* Called on a library thread after every commit of an instance; return quickly and do not
     * call back into pawl. `entries` is the committed step as JSON:
     * {"instance","sequence","at","status","entries":[...]}. */
    void (*on_step)(void *context, const char *entries);
    void *on_step_context;
    /* Where HTTP calls connect to instead: "https://HOST[:PORT]=HOST:PORT,...". Only the connection
     * changes: the request, and the name that the certificate must have, stay. NULL: nowhere else. */
    const char *egress_map;
    const char *egress_ca; /* a PEM file: certificates trusted beside the system's; NULL: none */
    /* What one evaluation of an expression may spend; more ends it with an error that names it. */
    uint64_t expression_fuel;   /* 0: 10,000,000 */
    uint64_t expression_memory; /* bytes; 0: 64 MiB; at most 1 GiB */
} pawl_options;

static inline pawl_options pawl_options_default(void)
{
    pawl_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options; /* compiled into the caller: its size, not ours */
    options.create = 1;
    return options;
}

/* Opens the store, takes ownership, starts the threads, and recovers everything that was
 * running, due or in flight. PAWL_BUSY: another process owns the store. PAWL_SCHEMA: the store
 * is newer than this program, or older and `create` is 0. PAWL_IO: cannot be read or written.
 * PAWL_CORRUPT: damaged. PAWL_INVALID: not a store of ours, or a bad option. */
PAWL_API PAWL_CHECK pawl_code pawl_open(pawl **out, const pawl_options *options, pawl_error *err);

/* Takes no new work, waits for running steps to commit, cancels activities and waits for them
 * to return, gives the store back. What was in flight is taken up at the next open. NULL is
 * fine. No other call may be running or come after. */
PAWL_API void pawl_close(pawl *p);

/* The path of the store's file; "" for "memory:". Valid until pawl_close(). */
PAWL_API const char *pawl_store(const pawl *p);

/* Adds a C activity after opening; instances that wait for it go on. PAWL_CONFLICT: the name is
 * taken. */
PAWL_API PAWL_CHECK pawl_code pawl_register(pawl *p, const pawl_activity_options *activity,
                                            pawl_error *err);

/* Makes the store's schema current, without owning instances. *from and *to (may be NULL) are the
 * versions before and after; harmless when repeated. */
PAWL_API PAWL_CHECK pawl_code pawl_migrate(const char *store, int *from, int *to, pawl_error *err);

/* ------------------------------------------------------------------ definitions */

/* Kinds of findings. The codes are stable: a tool may rely on them.
 * X(name, code, is an error, what it is, what to do) */
#define PAWL_FINDINGS(X)                                                                           \
    X(SYNTAX, "syntax", 1, "the text is not YAML or JSON", "mend the text at this place")          \
    X(TOO_LARGE, "too-large", 1, "a limit is exceeded", "split the document")                      \
    X(MISSING, "missing-member", 1, "a member that must be there is not", "add it")                \
    X(UNKNOWN_MEMBER, "unknown-member", 1, "nothing has this name here",                           \
      "write the name that was meant, or put your own data below 'metadata'")                      \
    X(TYPE, "wrong-type", 1, "a value of another type must stand here",                            \
      "write a value of the type that the message names")                                          \
    X(VALUE, "wrong-value", 1, "this value cannot stand here",                                     \
      "write a value as the message describes it")                                                 \
    X(DUPLICATE, "duplicate-name", 1, "a name is given twice", "rename one of the two")            \
    X(UNKNOWN_NAME, "unknown-name", 1, "a reference to something that is not there",               \
      "write a name that exists, or define it")                                                    \
    X(NOT_SUPPORTED, "not-supported", 1, "valid in the language, not in this release",             \
      "write it in another way, or wait for a release that has it")                                \
    X(EXPRESSION, "expression", 1, "an expression that does not compile", "mend the expression")   \
    X(VARIABLE, "variable-not-available", 1, "a variable that is not there at this place",         \
      "use one that is: the manual lists them for each place")                                     \
    X(UNREGISTERED, "function-not-registered", 1, "a function that this process does not have",    \
      "register it before the definition is published")                                            \
    X(UNREACHABLE, "unreachable-task", 0, "a task that nothing leads to",                          \
      "remove it, or let a 'then' lead to it")                                                     \
    X(LOOP, "loop-without-boundary", 0, "a loop in which nothing durable happens",                 \
      "limit it, or let it wait or call something")                                                \
    X(RETRY, "retry-without-limit", 0, "retries that may go on for ever",                          \
      "set limit.attempt.count or limit.duration")                                                 \
    X(LITERAL, "literal-expression", 0, "text that looks like an expression and is none",          \
      "make the whole string one ${ } expression")                                                 \
    X(ASSIGNMENT, "assignment-in-condition", 0, "'=' in a condition, which is always true",        \
      "write '=='")                                                                                \
    X(NO_EFFECT, "no-effect", 0, "a member that means nothing here",                               \
      "remove it, or put your own data below 'metadata'")                                          \
    X(HIDDEN, "hidden-variable", 0, "a variable that hides one of the language",                   \
      "give it another name")                                                                      \
    X(EXTERNAL, "function-of-process", 0, "a function that the process must have, nearly named "   \
                                          "like another",                                          \
      "make sure that the name is what you mean")                                                  \
    X(DSL, "early-dsl", 0, "a version of the language from before its release",                    \
      "write dsl: 1.0.3")                                                                          \
    X(NOT_PORTABLE, "not-portable", 0, "something that only this engine understands",              \
      "keep it, and know that another engine will refuse or ignore it")                            \
    X(EVERY_MESSAGE, "every-message", 0, "a filter that every message of its type must be tried on", \
      "say what is expected, with 'expect' of a 'correlate'")                                      \
    X(LISTEN_OUTPUT, "listen-output", 0, "the output of a listen, which is an array, read as an object", \
      "take the message out of the array: '.[0]'") \
    X(LOOSE, "loose-mode", 0, "loose mode, and text in it that is no expression",                  \
      "leave 'evaluate.mode' out, and write expressions as ${ }")

typedef enum pawl_finding_kind {
#define PAWL_FINDING_ENUM(name, code, error, what, advice) PAWL_FINDING_##name,
    PAWL_FINDINGS(PAWL_FINDING_ENUM)
#undef PAWL_FINDING_ENUM
} pawl_finding_kind;

typedef struct pawl_finding {
    int line, column;      /* from 1; columns count bytes; 0: not known */
    int is_error;          /* else a warning */
    const char *pointer;   /* JSON pointer into the document; "" the whole */
    const char *message;   /* what is wrong, and what would be right */
    pawl_finding_kind kind;
    const char *code;      /* of the kind: "unknown-member" */
    const char *advice;    /* of the kind: what to do */
} pawl_finding;

typedef void (*pawl_finding_fn)(void *context, const pawl_finding *finding);

/* Checks a workflow document (YAML or JSON, `length` bytes) and reports every finding, in the order
 * of the document. PAWL_INVALID if one is an error. */
PAWL_API PAWL_CHECK pawl_code pawl_validate(const char *text, size_t length,
                                            pawl_finding_fn on_finding, void *context,
                                            pawl_error *err);

/* As pawl_validate, and warns besides of everything that only this engine understands. */
PAWL_API PAWL_CHECK pawl_code pawl_validate_portable(const char *text, size_t length,
                                                     pawl_finding_fn on_finding, void *context,
                                                     pawl_error *err);

/* The JSON Schema (draft 2020-12) of what this release knows below `metadata.pawl`. */
PAWL_API const char *pawl_metadata_schema(void);

typedef enum pawl_graph_format {
    PAWL_GRAPH_JSON = 0,
    PAWL_GRAPH_MERMAID = 1,
    PAWL_GRAPH_DOT = 2,
} pawl_graph_format;

/* The workflow as a graph, made from what would run. PAWL_INVALID: the document has errors, which are
 * reported. JSON: {"document":{"namespace","name","version"},
 * "nodes":[{"id","kind","name","task","detail","if","group"}],
 * "groups":[{"id","name","part","group"}], "edges":[{"from","to","kind","name","label"}]}; members
 * without a value are absent. */
PAWL_API PAWL_CHECK pawl_code pawl_graph(const char *text, size_t length, pawl_graph_format format,
                                         pawl_finding_fn on_finding, void *context, char **out,
                                         pawl_error *err);

/* Publishes a definition. Commits; the same content again is a success without effect; other
 * content under the same namespace, name and version is PAWL_CONFLICT. *out (may be NULL):
 * {"namespace","name","version","digest","created":bool,"schedule"}; "schedule" is the instance that
 * starts the others, if the newest published version of this name has a schedule and it is under way. */
PAWL_API PAWL_CHECK pawl_code pawl_deploy(pawl *p, const char *text, size_t length,
                                          pawl_finding_fn on_finding, void *context, char **out,
                                          pawl_error *err);

/* A published definition is started by its name: the newest published version. A deprecated one is
 * started only by naming its version, an archived one not at all. Instances that run go on in any
 * case. `status` is "published", "deprecated" or "archived"; `name` is "name" or "namespace/name".
 * Commits; the same again is a success without effect. PAWL_NOT_FOUND: no such version. */
PAWL_API PAWL_CHECK pawl_code pawl_definition_status(pawl *p, const char *name, const char *version,
                                                     const char *status, pawl_error *err);

/* One definition: {"namespace","name","version","status","digest","level","createdAt","document"}; the
 * document is the text as it was given. `version` NULL: the newest published, or if none is, the
 * newest. */
PAWL_API PAWL_CHECK pawl_code pawl_definition(pawl *p, const char *name, const char *version,
                                              char **out, pawl_error *err);

typedef struct pawl_definitions_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *name;    /* "name" or "namespace/name"; NULL: any */
    const char *after;   /* the "next" of the page before; NULL: the first page */
    uint32_t limit;      /* 0: 100; at most 1000 */
} pawl_definitions_options;

/* {"definitions":[{"namespace","name","version","status","digest","level","scheduled":true,"createdAt","instances":N}],
 * "next":"..."} by namespace and name, within a page the newest version first; "instances" have not
 * ended; "next" is absent on the last page. `options` NULL: all defaults. */
PAWL_API PAWL_CHECK pawl_code pawl_definitions(pawl *p, const pawl_definitions_options *options,
                                               char **out, pawl_error *err);

/* ------------------------------------------------------------------ instances */

typedef struct pawl_start_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *name;        /* "name" or "namespace/name"; required */
    const char *version;     /* NULL: the newest published */
    const char *input;       /* JSON; NULL: null */
    const char *key;         /* business key: one instance per (namespace, name, key); NULL: none */
    const char *correlation; /* correlation id; NULL: the instance's id */
    const char *actor;       /* who starts it; NULL: "system" */
    void (*on_warning)(void *context, const char *message); /* the version is deprecated; NULL: unheard */
    void *warning_context;
} pawl_start_options;

/* Starts an instance: one commit. *id is its id. With a key that was used before: the first
 * instance's id and PAWL_OK if the input is the same, else PAWL_CONFLICT; *existed (may be
 * NULL) tells which. PAWL_STATE: the definition is archived, or deprecated and its version is not
 * named. */
PAWL_API PAWL_CHECK pawl_code pawl_start(pawl *p, const pawl_start_options *options, char **id,
                                         int *existed, pawl_error *err);

/* Submits data for a bookmark. The same data again is a success without effect, other data is
 * PAWL_CONFLICT; PAWL_NOT_FOUND: no such instance or key; PAWL_STATE: the instance has ended. `data`
 * NULL: null. `actor` NULL: "system". */
PAWL_API PAWL_CHECK pawl_code pawl_resume(pawl *p, const char *id, const char *key,
                                          const char *data, const char *actor, pawl_error *err);

/* Each is a success without effect when it was done before; PAWL_STATE when it cannot be done
 * (the instance has ended otherwise). `reason` may be NULL. */
PAWL_API PAWL_CHECK pawl_code pawl_cancel(pawl *p, const char *id, const char *actor,
                                          const char *reason, pawl_error *err);
PAWL_API PAWL_CHECK pawl_code pawl_suspend(pawl *p, const char *id, const char *actor,
                                           const char *reason, pawl_error *err);
PAWL_API PAWL_CHECK pawl_code pawl_continue(pawl *p, const char *id, const char *actor,
                                            const char *reason, pawl_error *err);

/* ------------------------------------------------------------------ messages */

typedef struct pawl_publish_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *actor;   /* who sends; NULL: "system" */
    uint64_t ttl_ms;     /* how long it is kept for who listens later, and known as a duplicate; 0: 24 hours */
} pawl_publish_options;

/* Takes in messages: one CloudEvent as JSON (specversion 1.0, id, source, type; structured form), or an array of
 * them. Commits all of them or none, then finds who listens. One whose source and id were received before has no
 * second effect. *out (may be NULL):
 * {"messages":[{"number","source","id","type","duplicate":bool,"state","deliveries":N,"kept":bool,
 * "expiresAt"}]}; "state" is "delivered", "kept" (for who listens later, until "expiresAt") or "new" (stored; who
 * listens is found as soon as the store works again); "deliveries" are those that this call made.
 * PAWL_INVALID: not CloudEvents; the message says which and why. `options` NULL: all defaults. */
PAWL_API PAWL_CHECK pawl_code pawl_publish(pawl *p, const char *events, const pawl_publish_options *options,
                                           char **out, pawl_error *err);

/* ------------------------------------------------------------------ waiting and looking */

typedef enum pawl_wait_for {
    PAWL_WAIT_END = 0,     /* until it has ended */
    PAWL_WAIT_SETTLED = 1, /* ... or only a person or a message can move it, or it is suspended */
    PAWL_WAIT_IDLE = 2,    /* ... or nothing is to be done before its next timer. These two: also the children
                            * that it waits for */
} pawl_wait_for;

/* Waits until the instance is where `what` says; timeout_ms 0: look once. *out (may be NULL)
 * is what pawl_show gives. PAWL_TIMEOUT: not yet. PAWL_IO: the store fails; nothing was lost.
 * PAWL_BUSY: closing. */
PAWL_API PAWL_CHECK pawl_code pawl_wait(pawl *p, const char *id, pawl_wait_for what,
                                        uint64_t timeout_ms, char **out, pawl_error *err);

/* Waits until no instance has anything to do before its next timer, person or message. */
PAWL_API PAWL_CHECK pawl_code pawl_drain(pawl *p, uint64_t timeout_ms, pawl_error *err);

/* One instance as JSON: {"id","namespace","name","version","status","key","correlation","parent",
 * "createdAt","updatedAt","endedAt","token","wakeAt","input","output","error","waits":[...]}; each
 * wait: {"kind":"user-action|timer|external-message|call|activity|child|...","task","visit","key","child",
 * "dueAt","since","reason", ...}; of a listen also "listens": {"to":"one|any|all","types","until": types,
 * "correlation": what is expected by name,"heard": how many}. Members without a value are absent. */
PAWL_API PAWL_CHECK pawl_code pawl_show(pawl *p, const char *id, char **out, pawl_error *err);

typedef struct pawl_list_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *status;  /* NULL: any */
    const char *name;    /* "name" or "namespace/name"; NULL: any */
    const char *after;   /* the "next" of the page before; NULL: the first page */
    uint32_t limit;      /* 0: 100; at most 1000 */
    int schedules;       /* nonzero: schedules, which are instances too, instead of what they start */
    const char *parent;  /* the children of this instance; NULL: any */
} pawl_list_options;

/* {"instances":[...],"next":"..."}, newest first; "next" is absent on the last page. */
PAWL_API PAWL_CHECK pawl_code pawl_list(pawl *p, const pawl_list_options *options, char **out,
                                        pawl_error *err);

/* The schedules that live: one for each definition whose newest published version has one. {"schedules":[{"namespace",
 * "name","version","instance","status","kind","expression","timeZone","overlap","catchUp","fired":N,"last","next",
 * "runs"}],"next":"..."}: "next" of one is when it is due, "last" when it last started an instance, "runs" the
 * instance whose end it waits for; members without a value are absent. It is paused by pawl_suspend() of its
 * instance, goes on by pawl_continue(), and ends by pawl_cancel() until another version is published.
 * status, schedules and parent of `options` are not looked at; NULL: all defaults. */
PAWL_API PAWL_CHECK pawl_code pawl_schedules(pawl *p, const pawl_list_options *options, char **out,
                                             pawl_error *err);

/* The execution log from step `from` on (1: all), at most `limit` steps (0: 1000), fewer where they
 * are large:
 * {"steps":[{"sequence","at","event","actor","correlation","entries":[...]}],"next":N};
 * "next" is absent at the end. */
PAWL_API PAWL_CHECK pawl_code pawl_log(pawl *p, const char *id, uint64_t from, uint32_t limit,
                                       char **out, pawl_error *err);

/* ------------------------------------------------------------------ expressions */

typedef void (*pawl_result_fn)(void *context, const char *json);

/* Evaluates a jq expression. `input` NULL: null; `args` NULL: none, else a JSON object whose
 * members are the variables. Calls back for each result. PAWL_INVALID: it does not compile, or
 * input or args are not JSON; PAWL_EXPRESSION: it fails while running, after the results so far. */
PAWL_API PAWL_CHECK pawl_code pawl_eval(const char *expression, const char *input,
                                        const char *args, pawl_result_fn on_result, void *context,
                                        pawl_error *err);

/* ------------------------------------------------------------------ other processes */

/* Executes one command given as JSON, and answers as JSON; the form in which commands travel
 * between processes. {"command":"deploy|start|resume|cancel|suspend|continue|wait|show|list|log|status|
 * definition|definitions|ping", ...}
 * gives {"ok":...} or {"error":{"code","message"}}. Never fails but for PAWL_NO_MEMORY. */
PAWL_API PAWL_CHECK pawl_code pawl_command(pawl *p, const char *request, char **answer,
                                           pawl_error *err);

typedef struct pawl_control pawl_control;

/* Lets other processes of this user send commands to the owner, by a socket beside the store.
 * Close it before pawl_close(). PAWL_INVALID: the store is not a file. */
PAWL_API PAWL_CHECK pawl_code pawl_control_open(pawl_control **out, pawl *p, pawl_error *err);
PAWL_API void pawl_control_close(pawl_control *control);

/* Sends one command to the owner of `store` and waits for the answer. PAWL_NOT_FOUND: nobody
 * listens there. timeout_ms 0: no limit. */
PAWL_API PAWL_CHECK pawl_code pawl_control_call(const char *store, const char *request,
                                                uint64_t timeout_ms, char **answer,
                                                pawl_error *err);

#ifdef __cplusplus
}
#endif
#endif
