/* fault.h - what becomes of an error that nothing in the definition has caught: the fault handler.
 *
 * One place turns (kind of fault, class of error, attempt, history) into one result, by a table, which is data: every
 * number and every row of it can be configured. Pure, as all of this room. The table and the numbers are those of the
 * requirements ("Fault policy"). */
#ifndef PW_FAULT_H
#define PW_FAULT_H

#include "base/arena.h"
#include "policy/retry.h"

/* Every fault has exactly one kind. X(name, text) */
#define PW_FAULT_KINDS(X)                                                                          \
    X(STARTUP, "startup-fault")             /* a start that the engine could not carry out */      \
    X(ACTIVITY, "activity-fault")           /* a task that failed: an activity, a job, an expression ... */ \
    X(EXTERNAL_CALL, "external-call-fault") /* an HTTP call */                                     \
    X(RESUME, "resume-fault")               /* an answer to a bookmark that could not be taken */

typedef enum pw_fault_kind {
#define PW_FAULT_KIND_ENUM(name, text) PW_FAULT_##name,
    PW_FAULT_KINDS(PW_FAULT_KIND_ENUM)
#undef PW_FAULT_KIND_ENUM
} pw_fault_kind;
#define PW_FAULT_KIND_COUNT 4
const char *pw_fault_kind_name(pw_fault_kind kind); /* part of the stored data: never changed */
bool pw_fault_kind_parse(pw_fault_kind *out, pw_str name);

/* What an error is like. X(name, text, what has happened: a clause of a sentence for people) */
#define PW_ERROR_CLASSES(X)                                                                        \
    X(ARGUMENT, "argument", "a definition, input or argument cannot work")                    \
    X(STATE, "invalid-state", "this is not possible in the state that something is in")                    \
    X(DENIED, "not-authorized", "somebody may not do this, or is not known")                       \
    X(UNSUPPORTED, "not-supported", "nothing there can do this")                                   \
    X(CONNECTION, "connection", "the service could not be reached, or broke the connection off")   \
    X(TIMEOUT, "timeout", "there was no answer in time")                                           \
    X(THROTTLED, "throttled", "the service asks for fewer calls")                            \
    X(SERVER, "server-error", "the service failed")                                          \
    X(CLIENT, "client-error", "the service refused the call")                                \
    X(MALFORMED, "malformed-answer", "the answer cannot be read, or is too large")                 \
    X(FORBIDDEN, "forbidden-address", "calls to this address are not allowed here")                \
    X(OPEN, "circuit-open", "the circuit breaker of the service is open")                          \
    X(UNKNOWN, "unknown-outcome", "nobody knows whether the call had its effect")                  \
    X(STORE, "store-unavailable", "the store could not be written or read")                        \
    X(LOST, "attempt-lost", "the attempt ended with the process or worker that made it")                     \
    X(BUSINESS, "business", "the definition or a worker raised this on purpose")          \
    X(OTHER, "other", "it failed in another way")

typedef enum pw_error_class {
#define PW_ERROR_CLASS_ENUM(name, text, words) PW_CLASS_##name,
    PW_ERROR_CLASSES(PW_ERROR_CLASS_ENUM)
#undef PW_ERROR_CLASS_ENUM
} pw_error_class;
#define PW_ERROR_CLASS_COUNT 17
const char *pw_error_class_name(pw_error_class class_); /* part of the stored data: never changed */
bool pw_error_class_parse(pw_error_class *out, pw_str name);

/* Of the answer of a service: 408, 429, 5xx, other 4xx; anything else that is no success: MALFORMED. */
pw_error_class pw_error_class_of_answer(int status);
/* Of an error that an activity gave, by the status in it: 400 and 422 ARGUMENT, 409 STATE, 401 and 403 DENIED, 405 and 501
 * UNSUPPORTED, 408 and 504 TIMEOUT, else OTHER. */
pw_error_class pw_error_class_of_activity(int status);
/* Of what the engine answers a caller with. */
pw_error_class pw_error_class_of_code(pawl_code code);
/* It counts against the circuit breaker of its service: CONNECTION, TIMEOUT, THROTTLED, SERVER. */
bool pw_error_class_breaks(pw_error_class class_);

/* What becomes of it once it is not tried again. */
typedef enum pw_fault_then {
    PW_THEN_ERROR,    /* to the caller; nothing has changed */
    PW_THEN_INCIDENT, /* the instance is faulted, and waits for a person */
    PW_THEN_SUSPEND,  /* the same, and it is suspended at once: it is critical */
} pw_fault_then;

typedef struct pw_fault_rule {
    bool retried;
    bool at_once; /* the next attempt needs no delay */
    pw_fault_then then;
} pw_fault_rule;

typedef struct pw_fault_policy {
    pw_retry_settings retry[PW_FAULT_KIND_COUNT];
    pw_fault_rule rules[PW_FAULT_KIND_COUNT][PW_ERROR_CLASS_COUNT];
    uint32_t suspend_after;     /* the n-th incident of an instance ... 0: never */
    uint64_t suspend_within_ms; /* ... within so long leaves it suspended */
} pw_fault_policy;

/* The requirements' table and numbers. */
extern const pw_fault_policy pw_fault_policy_default;
/* One row, as it is configured: "KIND:CLASS", with the kind without its "-fault", and "retry", "retry-at-once",
 * "incident", "suspend" or "error"; retry keeps what comes then. PAWL_INVALID: and what there is. */
PAWL_CHECK pawl_code pw_fault_policy_set(pw_fault_policy *policy, pw_str row, pw_str decision, pawl_error *err);

/* What is known of one error. */
typedef struct pw_fault_facts {
    pw_fault_kind kind;
    pw_error_class class_;
    const pw_retry_settings *retry; /* of the task; NULL: the policy's */
    bool final;              /* whoever raised it says that no attempt can help */
    uint32_t attempts;       /* made so far, this one too: 1 is the first; 0: what failed is no attempt */
    int64_t first_ms, now_ms; /* when the first attempt began */
    uint64_t retry_after_ms; /* asked for: by a service, up to the longest delay; by who does an activity, then exactly; 0: not */
    uint64_t seed;
    uint32_t incidents;      /* of the instance, this one too, within suspend_within_ms */
    /* for the text; empty: not known */
    pw_str instance, task, name; /* the task's pointer, and its name */
    pw_str service;          /* scheme://host:port, or the function */
    pw_str endpoint;
    int status;              /* of the error; 0: none */
    pw_str detail;           /* of the error */
} pw_fault_facts;

typedef struct pw_fault_result {
    bool should_retry;
    uint64_t retry_delay_ms; /* of a retry */
    bool suspend_workflow;
    bool requires_manual_intervention;
    pw_str recommended_action; /* what a person should check, and the command to type next; never empty, but of a retry
                                * that has no memory */
} pw_fault_result;

/* `arena` is for the text. */
pw_fault_result pw_fault_decide(const pw_fault_policy *policy, const pw_fault_facts *facts, pw_arena *arena);
#endif
