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
    X(EXPRESSION, "expression", "mend the expression or its input")                                \
    X(DENIED, "denied", "ask somebody who may, or use an identity that may")

typedef enum pawl_code {
#define PAWL_CODE_ENUM(name, text, action) PAWL_##name,
    PAWL_CODES(PAWL_CODE_ENUM)
#undef PAWL_CODE_ENUM
} pawl_code;

/* "ok", "invalid", ...; never NULL. */
PAWL_API const char *pawl_code_name(pawl_code code);

/* Why, more exactly than the code, where a program would act on the difference. X(name, text, what to do) */
#define PAWL_REASONS(X)                                                                            \
    X(NONE, "", "")                                                                                \
    X(NO_INSTANCE, "no-such-instance", "check the id; what has ended long ago may have been deleted") \
    X(NO_DEFINITION, "no-such-definition", "deploy it first, or check name, namespace and version") \
    X(NOT_STARTABLE, "not-startable", "publish a version, or name one that is deprecated")          \
    X(VERSION_EXISTS, "version-exists", "deploy the changed document under a new version")         \
    X(KEY_USED, "business-key-used", "use another business key, or the input that it was used with") \
    X(REQUEST_REUSED, "idempotency-key-reused", "use a new Idempotency-Key for another request")   \
    X(STALE_TOKEN, "stale-token", "read the instance again, decide again, and send its new token") \
    X(ENDED, "instance-ended", "nothing: an instance that has ended stays as it is")                \
    X(NOT_ENDED, "instance-not-ended", "cancel it first, or wait for its end")                      \
    X(NO_BOOKMARK, "no-such-bookmark", "list the open bookmarks of the instance")                   \
    X(WRONG_TASK, "wrong-task", "name the task that the bookmark belongs to, or none")             \
    X(WRONG_KIND, "wrong-kind", "name the kind that the bookmark has, or none")                    \
    X(ANSWERED, "already-answered", "nothing: it was answered before, otherwise")                   \
    X(EXPIRED, "bookmark-closed", "nothing: it was cancelled, or its time was up")                  \
    X(BAD_ANSWER, "answer-not-valid", "mend the data: the message says what its form wants")       \
    X(NOT_YOURS, "not-yours", "ask its assignee, a candidate or an administrator")                  \
    X(CLAIMED, "claimed", "wait until it is released, or ask who has claimed it")                   \
    X(NOT_CLAIMED, "not-claimed", "nothing: nobody has claimed it, or the claim is over")           \
    X(BAD_TOKEN, "token-not-valid", "use the token as it was given")                                \
    X(JOB_OVER, "job-over", "drop the work: it was done, cancelled, timed out or given to another") \
    X(FULL, "too-many", "try again later, with fewer requests at once")                             \
    X(TOO_LARGE, "too-large", "send less: the message names the limit")                            \
    X(NO_INCIDENT, "no-incident", "nothing: no incident of the instance is open")                  \
    X(OPEN_INCIDENT, "open-incident", "retry or fail the incident, or cancel the instance, first")  \
    X(NO_SERVICE, "no-such-service", "check the name: `pawl breakers --all` lists them")          \
    X(UNKNOWN_OUTCOME, "outcome-unknown", "look at the service, then say that you know (--confirm)") \
    X(NO_COMPENSATION, "nothing-to-compensate", "nothing: no step is left that could be undone")   \
    X(NOT_REPLAYED, "log-not-replayable", "go to a task instead, or start a new instance")          \
    X(NO_BULK, "no-such-bulk", "check the id: `pawl bulk list` lists them")                       \
    X(NO_LETTER, "no-such-dead-letter", "check the event and the sink: `pawl deadletter list` lists them") \
    X(UNPUBLISHED, "event-unpublished", "wait until its events are published, or requeue or discard them: `pawl deadletter list`") \
    X(DISK_LOW, "disk-low", "free space on the disk of the store: what runs is finished, nothing new begins") \
    X(CLEANED, "cleaned-up", "nothing: it ended long ago, and only its log is left (`pawl log`)")

typedef enum pawl_reason {
#define PAWL_REASON_ENUM(name, text, action) PAWL_REASON_##name,
    PAWL_REASONS(PAWL_REASON_ENUM)
#undef PAWL_REASON_ENUM
} pawl_reason;

/* "stale-token", ...; "" for PAWL_REASON_NONE; never NULL. Part of the interface: never changed. */
PAWL_API const char *pawl_reason_name(pawl_reason reason);
/* What to do; "" for PAWL_REASON_NONE. */
PAWL_API const char *pawl_reason_action(pawl_reason reason);

/* What went wrong, in the caller's memory. */
typedef struct pawl_error {
    pawl_code code;
    int native;       /* SQLite, CURLcode or errno value; 0: none */
    const char *file; /* where in the library it was noticed */
    int line;
    char message[480]; /* one sentence, and the way out */
    pawl_reason reason;
} pawl_error;

/* "0.1.0" */
PAWL_API const char *pawl_version(void);

/* Releases text that the library gave. NULL is fine. */
PAWL_API void pawl_free(void *text);

typedef struct pawl pawl;

/* Who asks for a change, and how. Zero means default; new fields go at the end; NULL: all defaults. */
typedef struct pawl_request {
    size_t struct_size;
    const char *actor;              /* for the log; NULL: "system" */
    const char *const *groups;      /* that the actor is a member of */
    size_t group_count;
    int restricted;                 /* nonzero: of user tasks only what is assigned to the actor or its groups, as
                                     * assignee or candidate, and of claims only its own. 0: anything: an administrator,
                                     * or a program that checks itself */
    const char *idempotency_key;    /* the same key again within 24 hours, for the same instance: the first answer, and no
                                     * second effect; with another request PAWL_CONFLICT (idempotency-key-reused). What was
                                     * refused, or changed nothing, is not remembered. At most 256 bytes */
    uint64_t if_token;              /* not 0: PAWL_CONFLICT (stale-token) if the instance has another */
    const char *correlation;        /* of this request, for its step in the log; NULL: the instance's */
    const char *trace;              /* W3C traceparent; a start keeps it for calls and events; NULL, or none: none */
} pawl_request;

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
    uint32_t at_once;       /* at most so many run at once, so that a slow function leaves threads to others; one that is past
                             * its deadline counts until it returns. 0: no limit */
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
/* The same with more to say: `failure` as of a job (retryable: 0 ends all attempts, whatever the status). */
struct pawl_job_failure;
PAWL_API pawl_code pawl_activity_fail_with(pawl_activity *activity, const struct pawl_job_failure *failure);
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
    uint64_t activity_timeout_ms; /* one attempt of an activity or job without its own; 0: 300000 (ActivityExecution) */
    uint64_t check_ms;          /* overdue rows and the inbox are looked at so often; 0: 10000 (CheckInterval) */
    uint32_t timer_batch;       /* overdue instances that are woken at once, for each step thread; 0: 20 (TimerProcessing:BatchSize) */
    uint64_t job_lease_ms;      /* of a job, if the poll asks for none; 0: 60000; at most 3600000 */
    const struct pawl_resilience *resilience; /* what is done about failures; NULL: pawl_resilience_default() */
    /* HTTP calls of workflows. */
    const char *egress_allow;   /* "loopback", "private", "link-local", "all", addresses and networks, with commas: addresses to
                                 * which calls may go although they are not public; NULL: none of these */
    const char *http_proxy;     /* URL; NULL: as the environment says; "": none */
    const char *http_no_proxy;  /* hosts, with commas, beside those that the environment names and loopback */
    int http_insecure_tls;      /* nonzero: certificates of services are not checked; for tests only */
    const char *http_client_certificate, *http_client_key; /* PEM files, for services that ask */
    uint64_t http_response_max; /* bytes of one answer; 0: 16 MiB */
    uint32_t http_redirects;    /* followed at most; 0: 10 */
    /* Background services. */
    unsigned services_off;      /* PAWL_SERVICE_... that this process does not run, with '|' */
    const struct pawl_sink_options *sinks; /* where events are published; text is copied */
    size_t sink_count;
    uint32_t outbox_batch;      /* events of one round, of each sink; 0: 10, at most 1000 (OutboxProcessing:BatchSize) */
    uint64_t outbox_ms;         /* looked at so often while nothing tells of work; 0: 5000 (ProcessingInterval) */
    uint32_t outbox_retries;    /* failed publishes, after which an event is a dead letter; 0: 3 (MaxRetryAttempts); UINT32_MAX: never */
    const struct pawl_cleanup_settings *cleanup; /* NULL: pawl_cleanup_settings_default() */
    uint64_t audit_ms;          /* the auditor's rounds; 0: 60000 */
    uint64_t overdue_ms;        /* what is late by so much is a finding; 0: 60000 */
    uint64_t disk_low, disk_full; /* bytes free on the disk of the store: below the first nothing is started, below the second everything
                                   * pauses; 0: 512 MiB, 64 MiB, but at most a tenth and a fiftieth of the disk;
                                   * UINT64_MAX: not looked at */
    uint64_t slow_query_ms;     /* a store operation that takes longer is counted as slow, and told; 0: 1000 */
    /* Traces: OTLP over HTTP. */
    const char *trace_endpoint; /* "http://127.0.0.1:4318"; NULL or "": none */
    const char *trace_headers;  /* "name=value,..."; NULL: none */
    double trace_ratio;         /* of instances whose start brings no traceparent; 0: 1; negative: none */
} pawl_options;

/* Background services, each of which can be switched off: another process, or nobody, does its work then. */
enum {
    PAWL_SERVICE_OUTBOX = 1,
    PAWL_SERVICE_CLEANUP = 2,
    PAWL_SERVICE_AUDIT = 4,
    PAWL_SERVICE_TIMERS = 8, /* what is due is not looked for: for maintenance; timers in memory do not fire either */
    PAWL_SERVICE_DISK = 16,
};

/* One place where events are published. */
typedef struct pawl_sink_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *name;        /* required: letters, digits, '-', '_', '.'; kept with each event: do not rename it while any is pending */
    const char *type;        /* required: "http", "file", "nats" */
    const char *url;         /* http: where to post; nats: servers, with commas; required for these */
    const char *types;       /* patterns of event types, with commas, '*' for any text: "order.*"; NULL: all */
    const char *sources;     /* the same, of sources */
    const char *path;        /* file: required */
    uint64_t rotate_bytes;   /* file: a new one after so much; 0: 64 MiB */
    uint32_t keep;           /* file: rotated files that are kept; 0: all */
    const char *mode;        /* http: "structured" (default) or "binary" */
    const char *secret;      /* http: signs each request (HMAC-SHA256); NULL: not */
    const char *headers;     /* http: "name=value,name=value"; NULL: none */
    const char *subject;     /* nats: "pawl.events"; "{type}" and "{source}" in it stand for the event's; NULL: "pawl.{type}" */
    const char *user, *password, *token; /* nats, http (Basic, Bearer); NULL: none */
    const char *ca;          /* PEM file; NULL: the system's */
    uint64_t timeout_ms;     /* one publish; 0: 10000 */
    uint32_t at_once;        /* publishes at once, each of another instance; 0: 16 */
} pawl_sink_options;

typedef struct pawl_cleanup_settings {
    size_t struct_size;
    uint64_t run_ms;         /* RunInterval; 3600000 */
    uint64_t instances_ms;   /* CompletedWorkflowRetention: ended longer ago; 30 days */
    uint64_t steps_ms;       /* ExecutionLogRetention; 90 days */
    uint64_t events_ms;      /* of published events of ended instances; 0: as instances_ms */
    uint32_t batch;          /* instances or rows of one transaction; 100 */
    uint64_t pause_ms;       /* between two transactions, so that others come first; 20 */
    const char *export_path; /* a folder: rows are written there (NDJSON) before they are deleted; NULL: they are not */
} pawl_cleanup_settings;

static inline pawl_cleanup_settings pawl_cleanup_settings_default(void)
{
    pawl_cleanup_settings c;
    memset(&c, 0, sizeof c);
    c.struct_size = sizeof c;
    c.run_ms = 3600000;
    c.instances_ms = 30 * 86400000ull;
    c.steps_ms = 90 * 86400000ull;
    c.batch = 100;
    c.pause_ms = 20;
    return c;
}

/* What is done about failures, for everything that says nothing itself. Begin with pawl_resilience_default(): a zero means
 * zero here. */
typedef struct pawl_resilience {
    size_t struct_size;
    uint32_t retries;             /* MaxRetryAttempts of activities, starts and resumes; 3 */
    uint64_t base_delay_ms;       /* 1000 */
    uint64_t max_delay_ms;        /* 30000; no delay is longer, but one that who does the work asks for */
    uint32_t call_retries;        /* of HTTP calls; 5 */
    uint64_t call_base_delay_ms;  /* 5000 */
    uint64_t call_max_delay_ms;   /* 60000 */
    uint32_t breaker_failures;    /* 5 */
    uint32_t breaker_throughput;  /* 10 */
    uint64_t breaker_window_ms;   /* 30000 */
    uint64_t breaker_break_ms;    /* 60000 */
    uint32_t calls_at_once;       /* to one service; 64 */
    double calls_per_second;      /* to one service; 0: no limit */
    uint64_t store_ms;            /* DatabaseOperation: so long what the store did not take is tried again; 30000 */
    uint64_t long_running_ms;     /* TimeoutThreshold: who lives longer is told of, once; 86400000; 0: nobody */
    uint32_t suspend_after;       /* the n-th incident of an instance ... 5; 0: never */
    uint64_t suspend_within_ms;   /* ... within so long leaves it suspended; 1800000 */
    const char *on_unknown;       /* "resend", "ask", "fault": a call whose outcome nobody knows; NULL: resend */
    const char *faults;           /* rows of the fault table that are other than they were: JSON object of
                                   * "activity:timeout": "retry|retry-at-once|incident|suspend|error"; NULL: none */
} pawl_resilience;

static inline pawl_resilience pawl_resilience_default(void)
{
    pawl_resilience r;
    memset(&r, 0, sizeof r);
    r.struct_size = sizeof r;
    r.retries = 3;
    r.base_delay_ms = 1000;
    r.max_delay_ms = 30000;
    r.call_retries = 5;
    r.call_base_delay_ms = 5000;
    r.call_max_delay_ms = 60000;
    r.breaker_failures = 5;
    r.breaker_throughput = 10;
    r.breaker_window_ms = 30000;
    r.breaker_break_ms = 60000;
    r.calls_at_once = 64;
    r.store_ms = 30000;
    r.long_running_ms = 86400000;
    r.suspend_after = 5;
    r.suspend_within_ms = 1800000;
    return r;
}

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

/* PAWL_OK while the store takes what is written; else why it does not, and that no answer is given before it does. */
PAWL_API PAWL_CHECK pawl_code pawl_health(pawl *p, pawl_error *err);

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
    X(UNREGISTERED, "function-not-registered", 0, "a function that this process does not have",    \
      "let workers poll for it, or register it")                                                   \
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
      "leave 'evaluate.mode' out, and write expressions as ${ }")                                  \
    X(ON_REQUEST, "compensation-on-request", 0, "a compensation that nothing in the document begins", \
      "set document.metadata.pawl.compensation.on ([]: an operator begins it), or call: compensate")

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
    const char *namespaces; /* JSON array: only of these; NULL: any */
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
    const char *labels;      /* JSON object of strings, to find it by; NULL: none */
    int64_t start_at_ms;     /* not before this instant; until then it is pending; 0: now */
    const pawl_request *request; /* its actor and correlation go before those above; if_token is not looked at */
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

typedef struct pawl_resume_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *id;    /* of the instance; required */
    const char *key;   /* of the bookmark; required */
    const char *data;  /* JSON; NULL: null */
    const char *task;  /* JSON pointer: it must be of this task (else wrong-task); NULL: any */
    const char *kind;  /* "user-action", "timer", "external-message": it must be of this kind (else wrong-kind); NULL: any */
} pawl_resume_options;

/* As pawl_resume, for bookmarks of every kind: a user action takes the answer, checked against its form's schema first; a
 * timer is over now, whatever its time (data must be null); a listen takes `data` as if a CloudEvent with it had come
 * to it alone (data is one CloudEvent). Validated first, consumed in the same transaction as its effect; the refusals
 * have their reason: wrong-task, wrong-kind, no-such-bookmark, already-answered, bookmark-closed, instance-ended,
 * answer-not-valid, not-yours, claimed. *out (may be NULL): {"id","key","token","status","repeated":bool}. */
PAWL_API PAWL_CHECK pawl_code pawl_resume_with(pawl *p, const pawl_resume_options *options,
                                               const pawl_request *request, char **out, pawl_error *err);

/* Each is a success without effect when it was done before; PAWL_STATE when it cannot be done
 * (the instance has ended otherwise). `reason` may be NULL. */
PAWL_API PAWL_CHECK pawl_code pawl_cancel(pawl *p, const char *id, const char *actor,
                                          const char *reason, pawl_error *err);
PAWL_API PAWL_CHECK pawl_code pawl_suspend(pawl *p, const char *id, const char *actor,
                                           const char *reason, pawl_error *err);
PAWL_API PAWL_CHECK pawl_code pawl_continue(pawl *p, const char *id, const char *actor,
                                            const char *reason, pawl_error *err);

typedef enum pawl_change {
    PAWL_CANCEL = 0,
    PAWL_SUSPEND = 1,
    PAWL_CONTINUE = 2,
    PAWL_RETRY = 3, /* what has faulted is tried again, with its first attempt, and the incident is over; an instance that lives
                     * and waits for a next attempt makes it now. PAWL_STATE (no-incident): there is nothing to retry */
    PAWL_FAIL = 4,  /* the incident is given up: the instance is faulted for good, what it still waits for is closed.
                     * PAWL_STATE (no-incident) */
    /* By pawl_act only: */
    PAWL_SKIP = 5,  /* what has faulted is over without having been done. PAWL_STATE (no-incident) */
    PAWL_GOTO = 6,  /* another task is next, in place of what has faulted. PAWL_STATE (no-incident) */
    PAWL_EDIT = 7,  /* its data become other ones; of an instance that lives, or has an open incident */
    PAWL_COMPENSATE = 8, /* whatever it still does is let go, and what it has done is undone, in reverse order. Of an instance in
                     * any status, as long as something is left to be undone: PAWL_STATE (nothing-to-compensate) */
    PAWL_REWIND = 9, /* it goes on from an earlier step. What was done since is not undone */
} pawl_change;

/* The three above and two more, with all that a request may say. *out (may be NULL): {"id","token","status","repeated":bool}.
 * The id of an incident may stand for that of its instance: then it must be the one that is open. */
PAWL_API PAWL_CHECK pawl_code pawl_change_with(pawl *p, const char *id, pawl_change change, const char *reason,
                                               const pawl_request *request, char **out, pawl_error *err);

typedef struct pawl_act_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *id;      /* of an instance, or of its open incident; required */
    pawl_change action;
    const char *reason;  /* for the log; NULL: none */
    const char *input;   /* RETRY, GOTO, REWIND to a visit: JSON, for the task instead of its own; checked against its schema; NULL: as it was */
    const char *output;  /* SKIP: JSON, as if the task had given it: output.as and export follow; checked against its schema. NULL: as by
                          * a false `if`: its input goes on */
    const char *task;    /* GOTO: JSON pointer of a task in the list of the one that has faulted, or in one of those around it */
    const char *patch;   /* EDIT: a JSON Patch (RFC 6902) of {"context","input"}: as pawl_show gives "data" */
    uint64_t step;       /* REWIND: behind this step of the log (from 1) */
    uint64_t visit;      /* REWIND: instead: to where the task of this visit was about to begin */
    int confirmed;       /* nonzero: although a call may have had its effect whose outcome nobody knows; else PAWL_STATE
                          * (outcome-unknown) where another request would be sent instead of it, or none */
    int dry_run;         /* nonzero: nothing is done; *out is what would be */
} pawl_act_options;

/* Every pawl_change, one commit each, with actor and reason in the log. *out (may be NULL): {"id","token","status",
 * "repeated":bool}, and of REWIND "done": what was done outside since, as pawl_effects gives it. With dry_run: {"id","token",
 * "dryRun":true,"status","repeated":bool,"diff":[JSON Patch of the instance as pawl_show gives status, data and waits],
 * "entries":[the log],"calls":[{"task","method","endpoint","again":bool}],"jobs":[{"task","function"}],"events":[{"type"}],
 * "bookmarks":[{"task","kind","key"}],"messages":[{"kind","instance"}] (to parent and children),"closes":[{"kind","key"}],"undo":N
 * (steps that could be undone then),"done":[REWIND]}; what would be refused is refused. It leaves no trace, also no idempotency
 * key; `token` is what it was seen at: as if_token it makes sure that nothing else is done than was seen. */
PAWL_API PAWL_CHECK pawl_code pawl_act(pawl *p, const pawl_act_options *options, const pawl_request *request, char **out,
                                       pawl_error *err);

/* A new instance that begins where another one was, behind `step` or before `visit`, as of pawl_act_options; what the other has done
 * is not done again, and the other stays as it is. *out: {"id","from","step","done":[...]}. */
typedef struct pawl_fork_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *id;          /* of the instance; required */
    uint64_t step, visit;    /* one of them */
    const char *input;       /* with visit: for its task */
    const char *key;         /* business key of the new one; NULL: none */
    const char *labels;      /* NULL: as the other has */
    const char *reason;
    int confirmed, dry_run;  /* as of pawl_act_options */
} pawl_fork_options;
PAWL_API PAWL_CHECK pawl_code pawl_fork(pawl *p, const pawl_fork_options *options, const pawl_request *request, char **out,
                                        pawl_error *err);

/* What an instance has done outside behind a step (0: all): {"effects":[{"step","at","kind":"call|job|event|user-action|message|child|
 * compensation","task","visit","what","state":"done|failed|pending|unknown|abandoned","idempotencyKey"}],"next"}, in order of steps. */
PAWL_API PAWL_CHECK pawl_code pawl_effects(pawl *p, const char *id, uint64_t behind, uint32_t limit, char **out, pawl_error *err);

/* What would be undone if the instance were compensated as it stands, and what became of what was: {"id","status","token",
 * "steps":[{"ordinal","task","name","visit","completedAt","state":"registered|unknown|running|done|failed|skipped","required":bool,
 * "action":"call|emit|userTask|child ...: what is done, in words","arguments","branch","parallel":bool,"child","whenUnknown","error",
 * "endedAt"}],"without":[{"task","name","visit","completedAt"}],"left":N,"next"}: `steps` in the order in which they are carried out, those
 * that are still open at present (unknown) first; `without`: what was completed outside and has no way to be undone. `after`
 * NULL: the first page; limit 0: 100, at most 1000. */
PAWL_API PAWL_CHECK pawl_code pawl_compensation(pawl *p, const char *id, const char *after, uint32_t limit, char **out, pawl_error *err);

/* ------------------------------------------------------------------ bulk operations
 *
 * One action on every open incident that a filter fits. What fits is counted first; then it is carried out, page by page, by a
 * thread of the library, kept in the store: after a crash it goes on where it was, and no instance gets it twice. */

typedef struct pawl_bulk_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    pawl_change action;      /* RETRY, SKIP, GOTO, FAIL, CANCEL, COMPENSATE */
    const char *reason, *input, *output, *task; /* as of pawl_act_options */
    int confirmed;
    const char *name;        /* the filter, all of it: of the definition: "name" or "namespace/name"; NULL: any */
    const char *version;     /* NULL: any */
    const char *namespaces;  /* JSON array; NULL: any */
    const char *type;        /* "external-call-fault" ...; NULL: any */
    const char *error_class; /* "timeout" ...; NULL: any */
    const char *at_task;     /* JSON pointer of the task that has faulted; NULL: any */
    const char *labels;      /* JSON object of texts; NULL: any */
    uint64_t older_ms;       /* incidents that came up at least so long ago; 0: any */
    int dry_run;             /* nonzero: only counted */
} pawl_bulk_options;
/* *out: {"id","state":"running|stopped|done","action","filter","reason","actor","createdAt","counted":N,"done":N,"skipped":N,"failed":N,
 * "changedAt","endedAt","stoppedBy","failures":[{"instance","code","message"}]}; dry_run: {"counted":N} and no more. skipped: what
 * was over before its turn came. */
PAWL_API PAWL_CHECK pawl_code pawl_bulk_start(pawl *p, const pawl_bulk_options *options, const pawl_request *request, char **out,
                                              pawl_error *err);
/* PAWL_NOT_FOUND (no-such-bulk). */
PAWL_API PAWL_CHECK pawl_code pawl_bulk(pawl *p, const char *id, char **out, pawl_error *err);
/* {"bulks":[as above, without failures],"next"}, newest first. */
PAWL_API PAWL_CHECK pawl_code pawl_bulks(pawl *p, const char *after, uint32_t limit, char **out, pawl_error *err);
/* Stops it behind the page that it is at, or (go_on) lets it go on. A success without effect if it is so; PAWL_STATE: it is done. */
PAWL_API PAWL_CHECK pawl_code pawl_bulk_stop(pawl *p, const char *id, int go_on, const pawl_request *request, char **out,
                                             pawl_error *err);

/* ------------------------------------------------------------------ incidents, calls, breakers */

typedef struct pawl_incidents_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    int all;                 /* nonzero: also those that are over */
    const char *instance;    /* NULL: any */
    const char *name;        /* of the definition: "name" or "namespace/name"; NULL: any */
    const char *namespaces;  /* JSON array: only of these; NULL: any */
    const char *type;        /* "external-call-fault" ...; NULL: any */
    const char *error_class; /* "timeout" ...; NULL: any */
    const char *task;        /* JSON pointer; NULL: any */
    const char *after;       /* the "next" of the page before */
    uint32_t limit;          /* 0: 100; at most 1000 */
} pawl_incidents_options;

/* {"incidents":[{"id","instance","namespace","name","version","status","task","type","class","attempts","decision",
 * "recommendedAction","error":{...},"open":bool,"createdAt","resolvedAt","resolvedBy","resolution"}],"next"}, newest first.
 * `id` is the instance's and the number of the step in which it came up, with a '-' between. */
PAWL_API PAWL_CHECK pawl_code pawl_incidents(pawl *p, const pawl_incidents_options *options, char **out, pawl_error *err);
/* One of them, by its id or by its instance's (the newest then), with what helps to judge it: beside the above "definition"
 * (of the task, as written), "input" (of the task), "calls" (of the task, as pawl_calls gives them), "breaker" (of its
 * service, as one of pawl_breakers; absent: none) and "undo" (steps of the instance's plan that are left; absent: none).
 * PAWL_NOT_FOUND. */
PAWL_API PAWL_CHECK pawl_code pawl_incident(pawl *p, const char *id, char **out, pawl_error *err);

/* The calls of an instance to services: {"calls":[{"task","visit","attempt","attempts","state":"pending|in-progress|completed|
 * failed|timed-out|abandoned|unknown","kind","method","endpoint","service","idempotencyKey","createdAt","endedAt",
 * "durationMs","status","error"}]}, in order of visits; in-progress: sent by this process, and not answered. */
PAWL_API PAWL_CHECK pawl_code pawl_calls(pawl *p, const char *id, char **out, pawl_error *err);

/* The circuit breakers: {"breakers":[{"service","state":"closed|open|half-open","forced":"open|closed","openUntil","calls",
 * "failures","waiting","active","sent","failed","refused","lastError","changedAt","changedBy","reason"}]}, by service; `all`
 * 0: only those that are not closed, forced, or that calls wait for. */
PAWL_API PAWL_CHECK pawl_code pawl_breakers(pawl *p, int all, char **out, pawl_error *err);
/* `force`: "open" (no call goes), "closed" (all go), "auto" (as it decides itself, closed at first). Commits. *out (may be
 * NULL): as one of pawl_breakers. PAWL_NOT_FOUND (no-such-service): no call ever went there, unless it is opened. */
PAWL_API PAWL_CHECK pawl_code pawl_breaker_force(pawl *p, const char *service, const char *force, const char *reason,
                                                 const pawl_request *request, char **out, pawl_error *err);

/* Deletes an instance that has ended, with its log and all else that is its own. PAWL_STATE (instance-not-ended, open-incident);
 * PAWL_NOT_FOUND: no such instance, also when it was deleted before. */
PAWL_API PAWL_CHECK pawl_code pawl_delete(pawl *p, const char *id, const pawl_request *request, pawl_error *err);

/* ------------------------------------------------------------------ bookmarks and user tasks */

typedef enum pawl_bookmark_action { /* of a user task only */
    PAWL_BOOKMARK_CLAIM = 0,    /* for the actor, for lease_ms; again by the same: extends. Others may not answer meanwhile,
                                 * and nobody else may claim it */
    PAWL_BOOKMARK_RELEASE = 1,  /* the actor's claim, or, unrestricted, anybody's */
    PAWL_BOOKMARK_DELEGATE = 2, /* assigned to `to` from now on; a claim ends */
    PAWL_BOOKMARK_COMMENT = 3,  /* `text` goes into the log */
} pawl_bookmark_action;

typedef struct pawl_bookmark_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *id, *key;      /* required */
    pawl_bookmark_action action;
    uint64_t lease_ms;         /* CLAIM; 0: until released or answered; at most 366 days */
    const char *to;            /* DELEGATE: required */
    const char *text;          /* COMMENT: required; at most 4096 bytes */
} pawl_bookmark_options;

/* One commit, in the log with its actor. Refusals as of pawl_resume_with. *out (may be NULL): the bookmark as pawl_bookmark
 * gives it. */
PAWL_API PAWL_CHECK pawl_code pawl_bookmark_change(pawl *p, const pawl_bookmark_options *options,
                                                   const pawl_request *request, char **out, pawl_error *err);

/* One bookmark: {"instance","namespace","name","version","task","visit","key","kind","open":bool,"consumed":bool,
 * "assignedTo","candidates","title","form","data","priority":N,"messageType","dueAt","createdAt","endedAt","endedBy",
 * "claimedBy","claimedUntil","token"}; members without a value are absent; "token" is the instance's. */
PAWL_API PAWL_CHECK pawl_code pawl_bookmark(pawl *p, const char *id, const char *key, char **out, pawl_error *err);

typedef struct pawl_bookmarks_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *kind;       /* "user-action", "timer", "external-message", "child"; NULL: any */
    const char *instance;   /* NULL: any */
    const char *name;       /* of the definition: "name" or "namespace/name"; NULL: any */
    const char *namespaces; /* JSON array: only of these; NULL: any */
    const char *person;     /* user tasks that this person may do: assigned to it, or a candidate itself or by a group and
                             * assigned to nobody; or open to everybody. NULL: whoever may do them */
    const char *const *groups; /* of the person */
    size_t group_count;
    const char *after;      /* the "next" of the page before; NULL: the first page */
    uint32_t limit;         /* 0: 100; at most 1000 */
} pawl_bookmarks_options;

/* Open bookmarks: {"bookmarks":[...],"next":"..."}, as pawl_bookmark gives them without form and data. With `person`, and
 * for kind "user-action", the most urgent first: by priority (higher first), due date (none last), age; else by age. */
PAWL_API PAWL_CHECK pawl_code pawl_bookmarks(pawl *p, const pawl_bookmarks_options *options, char **out, pawl_error *err);

/* ------------------------------------------------------------------ jobs
 *
 * `call: NAME` of a function that is none of the document's and none of this process is a job for workers: programs that
 * poll, do the work, and say what came of it. A job's token names (instance, task, visit, attempt) and is signed. The first
 * result of the current attempt is the one that counts, whoever has the lease; again the same is a success. A lease that
 * ends without a word is a lost attempt; the fourth faults the task. */

typedef struct pawl_poll_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *const *functions; /* at least one, at most 100 */
    size_t function_count;
    const char *namespaces; /* JSON array: only jobs of instances of these; NULL: any */
    uint32_t max;           /* jobs at most; 0: 1; at most 100 */
    uint64_t wait_ms;       /* for the first of them; 0: look once; at most 300000 */
    uint64_t lease_ms;      /* 0: pawl_options.job_lease_ms; 100 to 3600000 */
    const char *worker;     /* who polls, for people to see; NULL: "worker" */
} pawl_poll_options;

/* {"jobs":[{"token","function","namespace","name","instance","task","attempt":N,"priority":N,"input","idempotencyKey",
 * "correlation","traceparent","leaseUntil","deadline","lastError"}]}: none came: an empty list, and PAWL_OK. */
PAWL_API PAWL_CHECK pawl_code pawl_jobs_poll(pawl *p, const pawl_poll_options *options, char **out, pawl_error *err);

/* The same without a thread that waits. `on_jobs` is called once, on a thread of the library, must return quickly and must
 * not call back into pawl but for pawl_poll_close(): `jobs` as above (the callee's, to pawl_free()), or NULL and why. If it
 * returns 0 nobody is there any more, and the jobs go back as if they had not been handed out. */
typedef struct pawl_poll pawl_poll;
typedef int (*pawl_jobs_fn)(void *context, char *jobs, const pawl_error *err);
PAWL_API PAWL_CHECK pawl_code pawl_poll_open(pawl_poll **out, pawl *p, const pawl_poll_options *options,
                                             pawl_jobs_fn on_jobs, void *context, pawl_error *err);
/* Once it returns `on_jobs` does not run and will not be called. NULL is fine. Before pawl_close(). */
PAWL_API void pawl_poll_close(pawl_poll *poll);

/* The result, JSON; NULL: null. Commits. PAWL_INVALID (token-not-valid); PAWL_LOST (job-over): the attempt is over, and this
 * result has no effect. *out (may be NULL): {"repeated":bool}. */
PAWL_API PAWL_CHECK pawl_code pawl_job_complete(pawl *p, const char *token, const char *result,
                                                const pawl_request *request, char **out, pawl_error *err);

typedef struct pawl_job_failure { /* zero means default; new fields go at the end */
    size_t struct_size;
    int status;              /* as in HTTP; 0: 500 */
    const char *title, *detail; /* NULL: none */
    const char *type;        /* URI; NULL: the runtime error of the language */
    int retryable;           /* nonzero: another attempt, while there are some left; else the workflow sees the error */
    uint64_t retry_after_ms; /* the next attempt begins that late; 0: as configured, after 1, 2, 4 ... 30 s; at most 24 h */
} pawl_job_failure;

PAWL_API PAWL_CHECK pawl_code pawl_job_fail(pawl *p, const char *token, const pawl_job_failure *failure,
                                            const pawl_request *request, char **out, pawl_error *err);

typedef struct pawl_job_answer {
    size_t struct_size;
    const char *token;
    const char *result;              /* JSON; NULL: null; not looked at with a failure */
    const pawl_job_failure *failure; /* NULL: the job is done */
    int repeated;                    /* out: it was answered so before */
    pawl_error error;                /* out: code PAWL_OK, or what pawl_job_complete or pawl_job_fail would have given */
} pawl_job_answer;

/* Both for many at once, 1 to 100, which share commits: each as if it stood alone, its outcome in its place. Fails as a whole
 * only before any of them is looked at. */
PAWL_API PAWL_CHECK pawl_code pawl_jobs_answer(pawl *p, pawl_job_answer *answers, size_t count,
                                               const pawl_request *request, pawl_error *err);

/* Extends the lease by lease_ms from now (0: as at the poll), not beyond the deadline of the attempt. `progress` is JSON for
 * people, at most 4 KiB, kept in memory; NULL: none. *out (may be NULL): {"leaseUntil","cancelled":bool}; cancelled: nobody
 * waits for the result any more. Nothing is committed. */
PAWL_API PAWL_CHECK pawl_code pawl_job_heartbeat(pawl *p, const char *token, uint64_t lease_ms, const char *progress,
                                                 char **out, pawl_error *err);

typedef struct pawl_jobs_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *function;   /* NULL: any */
    const char *namespaces; /* JSON array; NULL: any */
    const char *instance;   /* NULL: any */
    const char *after;      /* the "next" of the page before */
    uint32_t limit;         /* 0: 100; at most 1000 */
} pawl_jobs_options;

/* What waits for workers here, and what they are at; not what waits for its next attempt, which pawl_show tells: {"functions":[{"function","ready":N,"leased":N,"polls":N,"maxConcurrent","rate"}],
 * "jobs":[{"function","instance","namespace","task","attempt","priority","state":"ready|leased|unsure","worker",
 * "leaseUntil","since","progress"}],"next"}. */
PAWL_API PAWL_CHECK pawl_code pawl_jobs(pawl *p, const pawl_jobs_options *options, char **out, pawl_error *err);

/* At most so many jobs of the function at once, and so many hand-outs a second (both 0: no limit); from now on, in this
 * process. `function` NULL: for every function that has no limit of its own. */
PAWL_API PAWL_CHECK pawl_code pawl_job_limit(pawl *p, const char *function, uint32_t at_once, double per_second,
                                             pawl_error *err);

/* ------------------------------------------------------------------ identities
 *
 * A token is random text that is shown once; the store keeps its hash. It belongs to a name, which may have several (to
 * change one for the other), and gives roles, each in a namespace or in all ("*"). */

typedef struct pawl_token_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *name;       /* the identity, as it will stand in the log; required */
    const char *roles;      /* JSON array of {"role","namespace"}: viewer, worker, starter, operator, admin; required */
    const char *const *groups; /* for user tasks */
    size_t group_count;
    const char *note;       /* for people; NULL: none */
    int64_t expires_ms;     /* instant; 0: never */
} pawl_token_options;

/* *token: "pawl_..." for the caller, never to be had again. *out (may be NULL): as one of pawl_tokens. Commits. */
PAWL_API PAWL_CHECK pawl_code pawl_token_create(pawl *p, const pawl_token_options *options, const char *actor,
                                                char **token, char **out, pawl_error *err);
/* {"tokens":[{"id","name","roles":[...],"groups":[...],"note","createdAt","createdBy","expiresAt","revokedAt"}]}, all of them. */
PAWL_API PAWL_CHECK pawl_code pawl_tokens(pawl *p, char **out, pawl_error *err);
/* By its id. Commits; again is a success without effect. */
PAWL_API PAWL_CHECK pawl_code pawl_token_revoke(pawl *p, const char *id, const char *actor, pawl_error *err);
/* Who that is, as one of pawl_tokens. PAWL_DENIED: nobody, revoked or expired. Cheap: kept in memory. */
PAWL_API PAWL_CHECK pawl_code pawl_authenticate(pawl *p, const char *token, char **out, pawl_error *err);

/* For a command that is no instance's: whether this key was used before. *seen: with the same digest, within 24 hours;
 * PAWL_CONFLICT (idempotency-key-reused): with another. Commits when it is new. */
PAWL_API PAWL_CHECK pawl_code pawl_once(pawl *p, const char *actor, const char *key, const char *digest, int *seen,
                                        pawl_error *err);

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

typedef enum pawl_watch_for {
    PAWL_WATCH_END = 0,   /* it has ended */
    PAWL_WATCH_MOVED = 1, /* its token is another than `token` */
} pawl_watch_for;

/* Waits without a thread: `on_there` is called once, on a thread of the library, with PAWL_OK once the instance is there, or
 * with why it cannot be waited for (PAWL_NOT_FOUND; PAWL_BUSY: closing, or another node's; trouble of the store). It must
 * return quickly and must not call back into pawl but for pawl_watch_close(). There is no time limit: close it. */
typedef struct pawl_watch pawl_watch;
typedef void (*pawl_watch_fn)(void *context, pawl_code code, const pawl_error *err);
PAWL_API PAWL_CHECK pawl_code pawl_watch_open(pawl_watch **out, pawl *p, const char *id, pawl_watch_for what,
                                              uint64_t token, pawl_watch_fn on_there, void *context, pawl_error *err);
/* Once it returns `on_there` does not run (unless it is that which calls this) and will not be called. NULL is fine. Before
 * pawl_close(). */
PAWL_API void pawl_watch_close(pawl_watch *watch);

/* What its row says, cheaply: {"id","namespace","name","version","status","key","correlation","parent","labels","createdAt",
 * "updatedAt","endedAt","token","wakeAt"}. */
PAWL_API PAWL_CHECK pawl_code pawl_head(pawl *p, const char *id, char **out, pawl_error *err);

/* The output of an instance that has completed, as JSON; PAWL_STATE if it has not. */
PAWL_API PAWL_CHECK pawl_code pawl_output(pawl *p, const char *id, char **out, pawl_error *err);

/* Waits until no instance has anything to do before its next timer, person or message. */
PAWL_API PAWL_CHECK pawl_code pawl_drain(pawl *p, uint64_t timeout_ms, pawl_error *err);

/* One instance as JSON: {"id","namespace","name","version","status","key","correlation","parent",
 * "createdAt","updatedAt","endedAt","token","wakeAt","input","data" (what PAWL_EDIT changes; absent once nothing can go on),"undo"
 * (steps of its compensation plan that are left; absent: none),"output","error","waits":[...]}; each
 * wait: {"kind":"user-action|timer|external-message|call|activity|child|...","task","visit","key","child",
 * "dueAt","since","reason", ...}; of a listen also "listens": {"to":"one|any|all","types","until": types,
 * "correlation": what is expected by name,"heard": how many}; of a user task "assignedTo","candidates","claimedBy",
 * "claimedUntil","priority"; of a pending instance {"kind":"start","startAt"}. "timeoutAt": its time is over then, or that of what it
 * is in, "timeoutOf": the task around it, or "/", the workflow. Members without a value are absent. */
PAWL_API PAWL_CHECK pawl_code pawl_show(pawl *p, const char *id, char **out, pawl_error *err);

typedef struct pawl_list_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *status;  /* NULL: any */
    const char *name;    /* "name" or "namespace/name"; NULL: any */
    const char *after;   /* the "next" of the page before; NULL: the first page */
    uint32_t limit;      /* 0: 100; at most 1000 */
    int schedules;       /* nonzero: schedules, which are instances too, instead of what they start */
    const char *parent;  /* the children of this instance; NULL: any */
    const char *namespaces;  /* JSON array: only of these; NULL: any */
    const char *labels;      /* JSON object: with all of these; NULL: any */
    const char *key;         /* business key; NULL: any */
    const char *correlation; /* NULL: any */
} pawl_list_options;

/* {"instances":[...],"next":"..."}, newest first; "next" is absent on the last page. */
PAWL_API PAWL_CHECK pawl_code pawl_list(pawl *p, const pawl_list_options *options, char **out,
                                        pawl_error *err);

/* How many there are: {"total":N,"statuses":{"waiting":N,...}}, of what pawl_list would list; `after`, `limit` and `status` are
 * not looked at. */
PAWL_API PAWL_CHECK pawl_code pawl_count(pawl *p, const pawl_list_options *options, char **out, pawl_error *err);

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

/* ------------------------------------------------------------------ events that could not be published */

typedef struct pawl_letters_options { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *sink, *instance, *type; /* NULL: any */
    const char *namespaces;  /* JSON array; NULL: any */
    int all;                 /* nonzero: also those that are tried again, and those that were discarded */
    const char *after;       /* the "next" of the page before */
    uint32_t limit;          /* 0: 100; at most 1000 */
} pawl_letters_options;
/* {"letters":[{"event","sink","instance","namespace","name","type","source","state":"dead|pending|discarded","attempts","error","requeued":bool,
 * "createdAt","nextAt","endedAt","by","reason"}],"next"}, newest first. */
PAWL_API PAWL_CHECK pawl_code pawl_letters(pawl *p, const pawl_letters_options *options, char **out, pawl_error *err);
/* One, with "payload", the CloudEvent. sink NULL: the only one at which it is dead. PAWL_NOT_FOUND (no-such-dead-letter). */
PAWL_API PAWL_CHECK pawl_code pawl_letter(pawl *p, const char *event, const char *sink, char **out, pawl_error *err);
/* Published again, with its attempts counted anew (behind what was published meanwhile: it says so, by the attribute `pawlrequeued`), or
 * given up. event NULL: all dead letters that `filter` fits (all, after and limit are not looked at), in batches. *out (may be NULL): {"changed":N}. */
PAWL_API PAWL_CHECK pawl_code pawl_letter_change(pawl *p, const char *event, const char *sink, const pawl_letters_options *filter,
                                                 int requeue, const char *reason, const pawl_request *request, char **out, pawl_error *err);
/* {"sinks":[{"name","type","target","state":"up|failing|unknown","pending","dead","oldestAt","published","failed","lastError","lastAt"}]} */
PAWL_API PAWL_CHECK pawl_code pawl_sinks(pawl *p, char **out, pawl_error *err);

/* ------------------------------------------------------------------ what is old, and copies of the store */

/* One run of the cleanup now, to its end, beside whatever is at work. dry_run: nothing is deleted, exported or given back. *out (may be NULL):
 * {"dryRun":bool,"instances","events","steps","bulks": how many went,"rows": of all tables,"bytesGiven": back to the file system,"exported":
 * path|null,"before":{"instances","steps"}: what had ended, or happened, before then; null: nothing goes,"stopped":bool}. on_progress (may be
 * NULL) is told after each transaction how many went so far (all is 0: it is not known); nonzero from it stops. */
typedef int (*pawl_progress_fn)(void *context, uint64_t done, uint64_t all);
PAWL_API PAWL_CHECK pawl_code pawl_cleanup(pawl *p, int dry_run, pawl_progress_fn on_progress, void *context, char **out, pawl_error *err);

/* A copy of the store as of one commit, into a file that is not there yet; its owner, this process or another, goes on. It can be read
 * (PAWL_READ), and owned by nobody until it is restored. on_progress (may be NULL) is told pages, and all of them again while the
 * copy is checked; nonzero from it stops (PAWL_LOST), and nothing is left. PAWL_CONFLICT: the file is there. *out (may be NULL):
 * {"file","bytes","instances","schema","generation","at"}. */
PAWL_API PAWL_CHECK pawl_code pawl_backup(const char *store, const char *file, pawl_progress_fn on_progress, void *context, char **out, pawl_error *err);
/* A store out of a copy, with "store" instead of "file" in *out. It must not be there, unless `replace`, and nobody may own it (PAWL_BUSY).
 * What is asked for from then on has other idempotency keys than in the store that was copied. A call that was in flight is as after a crash: it is
 * sent again under its old key, or is of unknown outcome where its task says so. PAWL_CORRUPT: the copy is damaged, and nothing has changed. */
PAWL_API PAWL_CHECK pawl_code pawl_restore(const char *file, const char *store, int replace, pawl_progress_fn on_progress, void *context,
                                           char **out, pawl_error *err);
/* Whether all that a store, or a copy, says of itself holds, while its owner goes on. *out as of pawl_restore. PAWL_CORRUPT: the first thing that
 * does not. */
PAWL_API PAWL_CHECK pawl_code pawl_check(const char *store, char **out, pawl_error *err);

/* ------------------------------------------------------------------ how it is */

/* Why an instance is where it is: {"id","status","why": one sentence,"moves": what will move it, in words,"at": when,"by": who,"since",
 * "waits":[{"task","kind","why","moves","at","by","since"}],"findings":[as of pawl_audit]}. */
PAWL_API PAWL_CHECK pawl_code pawl_why(pawl *p, const char *id, char **out, pawl_error *err);
/* What must never be and is, looked for now, or (last) as the auditor found it last: {"at","findings":[{"kind","level":"error|warning","instance",
 * "task","what","since","cause","remedy"}],"more": of these kinds that are not listed,"checked":{kind: rows},"partial": true if there are rows
 * that were not looked at}. */
PAWL_API PAWL_CHECK pawl_code pawl_audit(pawl *p, int last, char **out, pawl_error *err);
/* Each part: {"status":"up|degraded|down","components":[{"name","status":"up|disabled|failing|overdue","lastRun","lastGood","lastError","backlog",
 * "oldest","rounds","failedRounds","items","failedItems","intervalMs"}],"store":{...},"disk":{...},"findings":N}. */
PAWL_API PAWL_CHECK pawl_code pawl_components(pawl *p, char **out, pawl_error *err);
/* Text that Prometheus reads (exposition format 0.0.4). */
PAWL_API PAWL_CHECK pawl_code pawl_metrics(pawl *p, char **out, pawl_error *err);
/* For who serves requests of its own: one was answered, and is counted in pawl_http_requests_total. `route` is one of a small set
 * (the first 200, and one for the rest), never a path with an id in it. */
PAWL_API void pawl_served(pawl *p, const char *route, int status, uint64_t duration_us);

/* ------------------------------------------------------------------ the log of the process
 *
 * One for the process, whatever it has open. Nothing is written before this is called. */
typedef struct pawl_logging { /* zero means default; new fields go at the end */
    size_t struct_size;
    const char *level;       /* "off", "error", "warning", "info", "debug"; by component behind it: "info,http=debug"; NULL: "info" */
    const char *format;      /* "json", "human", "journal" (journald's own protocol), "auto": journal where stderr is journald's, human on a terminal,
                              * else json; NULL: auto */
    int fd;                  /* 0: 2, stderr */
    void (*on_line)(void *context, const char *line); /* instead of a file descriptor, by a thread of the log; NULL: none */
    void *context;
    const char *journal;     /* journald's socket; NULL: /run/systemd/journal/socket */
} pawl_logging;
PAWL_API PAWL_CHECK pawl_code pawl_logging_start(const pawl_logging *options, pawl_error *err);
/* At run time; text as of pawl_logging.level. */
PAWL_API PAWL_CHECK pawl_code pawl_logging_level(const char *level, pawl_error *err);
PAWL_API const char *pawl_logging_levels(void); /* as it is now; valid until the next call by this thread */
PAWL_API void pawl_logging_stop(void);          /* writes what is left */
PAWL_API int pawl_logging_wants(const char *level, const char *component); /* 1: such a line would be written */
/* A line of the host's own; `fields` (NULL: none) is a JSON object of at most 32 members. `level` as in words above. */
PAWL_API void pawl_logging_line(const char *level, const char *component, const char *event, const char *instance, const char *message,
                                const char *fields);

/* ------------------------------------------------------------------ traces of the host's own */

/* A span begins, below that of the traceparent `parent`; NULL, or none: in a new trace, sampled as the options say. *out: its own
 * traceparent, to give as pawl_request.trace of what is done within it. 0: there are no traces, and nothing was written. */
PAWL_API int pawl_trace_begin(pawl *p, const char *parent, char out[56]);
/* It has ended now, and took so long; one that is not sampled is not given. kind: "internal", "server", "client", "producer", "consumer";
 * fields: JSON object of attributes; NULL: none. */
PAWL_API void pawl_trace_end(pawl *p, const char *span, const char *parent, const char *kind, const char *name, uint64_t duration_us,
                             int failed, const char *fields);

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
 * between processes. {"command":NAME, ...} gives {"ok":...} or {"error":{"code","reason","message"}}; the commands are in
 * doc/embedding.md. Never fails but for PAWL_NO_MEMORY. */
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
