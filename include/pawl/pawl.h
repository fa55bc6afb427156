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

typedef struct pawl_finding {
    int line, column;      /* from 1; 0: not known */
    int is_error;          /* else a warning */
    const char *pointer;   /* JSON pointer into the document; "" the whole */
    const char *message;   /* what is wrong, and what would be right */
} pawl_finding;

typedef void (*pawl_finding_fn)(void *context, const pawl_finding *finding);

/* Checks a workflow document (YAML or JSON, `length` bytes) and reports every finding, in the order
 * of the document. PAWL_INVALID if one is an error. */
PAWL_API PAWL_CHECK pawl_code pawl_validate(const char *text, size_t length,
                                            pawl_finding_fn on_finding, void *context,
                                            pawl_error *err);

/* Publishes a definition. Commits; the same content again is a success without effect; other
 * content under the same namespace, name and version is PAWL_CONFLICT. *out (may be NULL):
 * {"namespace","name","version","digest","created":bool}. */
PAWL_API PAWL_CHECK pawl_code pawl_deploy(pawl *p, const char *text, size_t length,
                                          pawl_finding_fn on_finding, void *context, char **out,
                                          pawl_error *err);

/* ------------------------------------------------------------------ instances */

typedef struct pawl_start_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *name;        /* "name" or "namespace/name"; required */
    const char *version;     /* NULL: the newest published */
    const char *input;       /* JSON; NULL: null */
    const char *key;         /* business key: one instance per (namespace, name, key); NULL: none */
    const char *correlation; /* correlation id; NULL: the instance's id */
    const char *actor;       /* who starts it; NULL: "system" */
} pawl_start_options;

/* Starts an instance: one commit. *id is its id. With a key that was used before: the first
 * instance's id and PAWL_OK if the input is the same, else PAWL_CONFLICT; *existed (may be
 * NULL) tells which. */
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

typedef enum pawl_wait_for {
    PAWL_WAIT_END = 0,     /* until it has ended */
    PAWL_WAIT_SETTLED = 1, /* ... or only a person or a message can move it, or it is suspended */
    PAWL_WAIT_IDLE = 2,    /* ... or nothing is to be done before its next timer */
} pawl_wait_for;

/* Waits until the instance is where `what` says; timeout_ms 0: look once. *out (may be NULL)
 * is what pawl_show gives. PAWL_TIMEOUT: not yet. PAWL_IO: the store fails; nothing was lost.
 * PAWL_BUSY: closing. */
PAWL_API PAWL_CHECK pawl_code pawl_wait(pawl *p, const char *id, pawl_wait_for what,
                                        uint64_t timeout_ms, char **out, pawl_error *err);

/* Waits until no instance has anything to do before its next timer, person or message. */
PAWL_API PAWL_CHECK pawl_code pawl_drain(pawl *p, uint64_t timeout_ms, pawl_error *err);

/* One instance as JSON: {"id","namespace","name","version","status","key","correlation",
 * "createdAt","updatedAt","endedAt","token","wakeAt","input","output","error","waits":[...]}; each
 * wait: {"kind":"user-action|timer|call|activity|...","task","visit","key","dueAt","since",
 * "reason", ...}. Members without a value are absent. */
PAWL_API PAWL_CHECK pawl_code pawl_show(pawl *p, const char *id, char **out, pawl_error *err);

typedef struct pawl_list_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *status;  /* NULL: any */
    const char *name;    /* "name" or "namespace/name"; NULL: any */
    const char *after;   /* the "next" of the page before; NULL: the first page */
    uint32_t limit;      /* 0: 100; at most 1000 */
} pawl_list_options;

/* {"instances":[...],"next":"..."}, newest first; "next" is absent on the last page. */
PAWL_API PAWL_CHECK pawl_code pawl_list(pawl *p, const pawl_list_options *options, char **out,
                                        pawl_error *err);

/* The execution log from step `from` on (1: all), at most `limit` steps (0: 1000):
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
 * between processes. {"command":"deploy|start|resume|cancel|suspend|continue|wait|show|list|log|ping", ...}
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
