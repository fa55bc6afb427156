/* core.h - decide: (program, state, event) gives a transition. Pure: no I/O, no clock, no lock, no
 * randomness but the event's seed. The same arguments give the same transition, byte for byte. */
#ifndef PW_CORE_H
#define PW_CORE_H

#include "core/program.h"
#include "base/payload.h"
#include "policy/fault.h"

/* Of the stored state; a reader knows the lower ones and refuses a higher one. 1: every value in
 * its place; 2: large ones are payloads; 3: a fork with many
 * branches has a row for each; 4: calls and work may wait for their next attempt, what has faulted keeps what it waits
 * for, and incidents are remembered; 5: what was done is counted for its compensation, which may run; of an attempt
 * without an answer it is remembered that it may have had its effect. */
#define PW_STATE_FORMAT 5

/* ------------------------------------------------------------------ status */

typedef enum pw_status {
    PW_PENDING,
    PW_RUNNING,
    PW_WAITING,
    PW_SUSPENDED,
    PW_COMPENSATING,
    PW_COMPLETED,
    PW_FAULTED,
    PW_CANCELLED,
    PW_COMPENSATED,
} pw_status;
#define PW_STATUS_COUNT 9

const char *pw_status_name(pw_status status);       /* "waiting"; never NULL */
bool pw_status_parse(pw_status *out, pw_str name);
bool pw_status_ended(pw_status status);             /* completed, faulted, cancelled, compensated */
bool pw_status_may_move(pw_status from, pw_status to); /* the one table */

/* ------------------------------------------------------------------ events */

typedef enum pw_event_kind {
    PW_EVENT_START,           /* payload: the input */
    PW_EVENT_DRIVE,           /* go on: a step that was cut, or recovery */
    PW_EVENT_TIMER,           /* now_ms has reached wake_at */
    PW_EVENT_CALL_RESULT,     /* visit, attempt, call */
    PW_EVENT_ACTIVITY_RESULT, /* visit, attempt, payload: the result, or error */
    PW_EVENT_ACTIVITY_LOST,   /* visit, attempt: the process died, or took longer than it may be silent */
    PW_EVENT_MESSAGE,         /* visit, number, payload: the CloudEvent */
    PW_EVENT_CHILD_ENDED,     /* visit, key: the child's id; payload: its output, or error */
    PW_EVENT_RESUME,          /* key, payload, actor; task, bookmark: what it must be of */
    PW_EVENT_CANCEL,          /* actor, reason */
    PW_EVENT_SUSPEND,         /* actor, reason */
    PW_EVENT_CONTINUE,        /* actor, reason */
    PW_EVENT_CLAIM,           /* key, actor, until_ms */
    PW_EVENT_RELEASE,         /* key, actor */
    PW_EVENT_DELEGATE,        /* key, actor, to */
    PW_EVENT_COMMENT,         /* key, actor, reason: the text */
    PW_EVENT_CALL_LOST,       /* visit, attempt: nobody knows what became of the request; only of one that the state does
                               * not let be sent again (pw_state_resends) */
    PW_EVENT_RETRY,           /* actor, reason: an incident is tried again, from a first attempt; of an instance that lives,
                               * what waits for its next attempt need not wait */
    PW_EVENT_FAIL,            /* actor, reason: an incident is given up: the instance stays faulted for good */
    PW_EVENT_SKIP,            /* actor, reason, payload: what has faulted is over, and this is its raw output; PW_NONE: as by
                               * a false `if`, its input goes on */
    PW_EVENT_GOTO,            /* actor, reason, task, payload: not what has faulted but this task is next, with this input;
                               * PW_NONE: with the one that the faulted task had */
    PW_EVENT_EDIT,            /* actor, reason, payload: a JSON Patch of the instance's data (pw_state_data) */
    PW_EVENT_COMPENSATE,      /* actor, reason, task: whatever still runs is let go, and what was done is undone; task:
                               * only what was done in it, and the rest stays as it is (of a faulted instance); parent: it is
                               * that who asks, and is told of the end */
    PW_EVENT_PLAN,            /* visit, number, plan: the rows that pw_state_plan_wanted has asked for */
    PW_EVENT_REWIND,          /* actor, reason, rewound: it goes on from there */
} pw_event_kind;

/* A step of a compensation plan: a row of the store. */
typedef enum pw_undo_state {
    PW_UNDO_REGISTERED, /* it can be carried out */
    PW_UNDO_UNKNOWN,    /* nobody knows whether the task had its effect */
    PW_UNDO_RUNNING,
    PW_UNDO_DONE,
    PW_UNDO_FAILED,     /* an optional one, whose error was let pass */
    PW_UNDO_SKIPPED,    /* by somebody, or because of whenUnknown */
} pw_undo_state;
#define PW_UNDO_STATE_COUNT 6
const char *pw_undo_state_name(pw_undo_state state); /* "registered" ... as in rows */
bool pw_undo_state_parse(pw_undo_state *out, pw_str name);

typedef struct pw_undo_step {
    uint64_t ordinal;      /* in order of completion, from 1; carried out from the highest down */
    pw_str task;           /* JSON pointer of what was done; its program's task says how it is undone */
    uint64_t visit;        /* of it */
    pw_str key;            /* what was done: the same key is one effect, however often it was asked for; a row with it is
                            * replaced, and moves to the new ordinal */
    pw_str branch;         /* the branches of forks that it was in, outermost first: "4.0/17.2" (the fork's visit, the
                            * branch's number); empty: none. Two steps that differ in a branch of the same fork may run side by side */
    pw_str arguments;      /* JSON, evaluated when the task ended; empty: `error` says why there are none */
    pw_str error;          /* problem as JSON: the arguments could not be evaluated; or of FAILED; empty: none */
    pw_str child;          /* it is a child that is to be compensated itself: its id; empty: none */
    pw_undo_state state;
} pw_undo_step;

typedef struct pw_undo_change { /* a row is in another state from now on */
    uint64_t ordinal;
    pw_undo_state state;
    uint64_t visit;        /* RUNNING: of the step that carries it out; else 0: leave */
    pw_str error;          /* FAILED; else empty */
} pw_undo_change;

const char *pw_event_name(pw_event_kind kind); /* "start", "call-result" ... as in step rows */

typedef struct pw_header {
    pw_str name, value;
} pw_header;

/* What an HTTP call came to. */
typedef struct pw_call_result {
    bool answered;           /* status, headers and body are there */
    bool timed_out;          /* not answered: because of the deadline */
    pw_error_class class_;   /* not answered: CONNECTION, TIMEOUT, MALFORMED (too large, not HTTP), FORBIDDEN, OPEN,
                              * ARGUMENT (not to be sent) or OTHER */
    bool unsent;             /* not answered: and certainly nothing of it has reached the service */
    bool resent;             /* it was sent once more, because nobody knew what had become of the one before */
    int32_t status;
    const pw_header *headers; /* names in lower case */
    size_t header_count;
    pw_str body;             /* bytes, not always UTF-8 */
    pw_str error;            /* not answered: why, in words */
    uint64_t duration_ms;
} pw_call_result;

/* What who failed says about another attempt. */
typedef enum pw_retry_said { PW_RETRY_BY_CLASS, PW_RETRY_YES, PW_RETRY_NO } pw_retry_said;

typedef struct pw_event {
    pw_event_kind kind;
    uint64_t visit;     /* the wait it answers; RESUME, CLAIM ...: the bookmark must be of this visit; 0: any */
    uint32_t attempt;
    int64_t now_ms;     /* the only clock: max(clock, the instance's last step) */
    uint64_t seed;      /* the only source of jitter and ids */
    pw_str key;         /* RESUME, CLAIM ...: bookmark key; ACTIVITY_RESULT: names a worker's answer in the log */
    pw_str actor;       /* empty: "system" */
    pw_str reason;
    pw_value payload;
    pw_value error;     /* ACTIVITY_RESULT: {status, title, detail}; CHILD_ENDED: the problem; else PW_NONE */
    pw_call_result call;
    uint64_t number;    /* MESSAGE: of the message, in its store; PLAN: pw_plan_wanted.below */
    pw_str parent;      /* START: who started it and wants to know how it ends; CANCEL: who does not want to know
                         * it any more; empty: nobody */
    uint64_t parent_visit;
    uint32_t depth;     /* START: parents above it */
    bool schedule;      /* START: of the program's schedule, not of its workflow; payload: what the one before left */
    int64_t start_at_ms; /* START: not before; until then it is PENDING. 0: now */
    bool unheard;       /* START: nobody hears a refusal; with an input that does not fit its schema it faults */
    bool restricted;    /* the actor may do only what is its own: assignee, candidate, claim */
    const pw_str *groups; /* of the actor */
    size_t group_count;
    pw_str task;        /* RESUME: the bookmark must be of this task; empty: any */
    pw_str bookmark;    /* RESUME: ... of this kind, by name; empty: any */
    pw_str to;          /* DELEGATE: the new assignee */
    int64_t until_ms;   /* CLAIM: its end; -1: none */
    pw_retry_said retry; /* ACTIVITY_RESULT with an error: what who did it says */
    uint64_t retry_after_ms; /* ... and not before; 0: as the policy has it */
    bool confirmed;     /* RETRY, SKIP, GOTO, REWIND: the actor knows that a call whose outcome nobody knows is behind it */
    const pw_undo_step *plan; /* PLAN: from the highest ordinal down */
    size_t plan_count;
    bool plan_ends;     /* PLAN: there are no more below */
    const struct pw_state *rewound; /* REWIND: as pw_replay_state gave it: it goes on from there, visit: and the task of this
                         * visit is about to begin, with `payload`. START: it begins there; key: the instance that it is of */
    int64_t rewound_ms; /* when it was so */
    uint64_t to_step;   /* the same, as a step of the log, for the log */
} pw_event;

/* ------------------------------------------------------------------ transition */

/* One request, rendered. Its JSON text is what the store keeps and what the key is made of. */
typedef struct pw_call_request {
    pw_str method, uri;
    const pw_header *headers; /* without Idempotency-Key: the driver adds it */
    size_t header_count;
    pw_str body;              /* empty: none */
    bool redirect;            /* follow */
} pw_call_request;

pw_str pw_call_request_text(pw_arena *arena, const pw_call_request *request);
PAWL_CHECK pawl_code pw_call_request_parse(pw_call_request *out, pw_str text, pw_arena *arena,
                                           pawl_error *err);

typedef enum pw_bookmark_kind { PW_BOOKMARK_USER, PW_BOOKMARK_TIMER, PW_BOOKMARK_MESSAGE, PW_BOOKMARK_CHILD } pw_bookmark_kind;
const char *pw_bookmark_kind_name(pw_bookmark_kind kind); /* "user-action", "timer", "external-message", "child" */

typedef struct pw_bookmark {
    pw_bookmark_kind kind;
    pw_str task;            /* JSON pointer */
    uint64_t visit;
    pw_str key;
    pw_str assigned_to;     /* USER; empty: nobody in particular */
    pw_str candidates;      /* USER: JSON {users, groups}, each an array of texts or absent; empty: there are none, and
                             * if nobody is assigned either, anybody may do it. Given, and naming nobody: nobody may */
    pw_str message_type;    /* MESSAGE */
    int64_t due_at;         /* -1: none */
    pw_str payload;         /* JSON: title, form, data, priority ...; empty: none */
    int32_t priority;       /* USER: higher goes first; 0 if it has none */
} pw_bookmark;

/* An open bookmark of a user task becomes this. */
typedef struct pw_bookmark_change {
    uint64_t visit;
    pw_str key;
    pw_str assigned_to;     /* as it is from now on; empty: nobody */
    pw_str claimed_by;      /* the same */
    int64_t claimed_until;  /* -1: until it is released */
} pw_bookmark_change;

typedef struct pw_bookmark_end {
    uint64_t visit;
    pw_str key;
    bool consumed;          /* false: closed without effect (cancelled, timed out) */
    pw_str by;              /* the actor */
    pw_str digest;          /* of the data it was consumed with: a repeat is told from a conflict */
} pw_bookmark_end;

typedef struct pw_outbox_event {
    pw_str id;              /* "<instance>-<step>-<ordinal>" */
    pw_str type, source;
    pw_str payload;         /* the whole CloudEvent as JSON */
} pw_outbox_event;

typedef struct pw_call_intent {
    pw_str task;
    uint64_t visit;
    uint32_t attempt;       /* from 1 */
    pw_str kind;            /* "http" */
    pw_str endpoint, method; /* for people and metrics: scheme://host/path without query */
    pw_str request;         /* pw_call_request_text */
    pw_str key;             /* idempotency key */
    uint64_t timeout_ms;    /* of this attempt; 0: the driver's default */
    bool again;             /* request, endpoint and method are empty: they are those that the store has under the key */
    const pw_resilience *resilience; /* what the program says; NULL: as configured */
} pw_call_intent;

typedef enum pw_call_state { /* of an external_call row */
    PW_CALL_PENDING, /* committed, perhaps sent */
    PW_CALL_COMPLETED,
    PW_CALL_FAILED,
    PW_CALL_TIMED_OUT,
    PW_CALL_ABANDONED, /* nobody waits any more; a late result is only logged */
    PW_CALL_UNKNOWN,   /* nobody knows whether it had its effect, and it is not sent again by itself */
} pw_call_state;
const char *pw_call_state_name(pw_call_state state); /* "pending", "timed-out" ... */

typedef struct pw_call_outcome {
    uint64_t visit;
    pw_str key;
    pw_call_state state;
    pw_str outcome;         /* JSON {status, headers, body | bodyBase64 | error}; empty: leave */
    uint64_t duration_ms;
} pw_call_outcome;

/* An attempt of a C activity that the committed state wants, or does not want any more. */
typedef struct pw_work {
    bool cancel;            /* stop this attempt; else: hand it out */
    uint64_t visit;
    uint32_t attempt;
    pw_str task;            /* JSON pointer */
    pw_str function;
    pw_str input;           /* JSON */
    pw_str key;             /* idempotency key */
    int32_t priority;       /* metadata.pawl.priority of the task; higher goes first */
    uint64_t timeout_ms;    /* of this attempt; 0: the default */
    pw_str last_error;      /* of the attempt before, JSON; empty: none */
} pw_work;

/* For another instance, which may not be there yet. The payload is a JSON object, by kind:
 *   start        namespace, name, version (absent: the newest published when it starts), input, correlation,
 *                depth, parent; visit, if the parent wants to know the end; "schedule": true: of the schedule. Its
 *                dedupe key is "start"
 *   child-ended  visit (absent: nobody waits), child, and output or error
 *   cancel       reason; parent, if it is that who cancels
 *   compensate   reason, parent, visit: what the child has done is undone, and child-ended says so */
typedef struct pw_inbox_message {
    pw_str target, dedupe_key, kind, payload;
} pw_inbox_message;

/* One way to look at messages: a type, and parts that give values of the message. Listeners that differ only in
 * the values that they expect share it, so that what a message costs does not grow with who waits for other values.
 * Each part is a JSON object:
 *   {"a": ATTRIBUTE}                  the value of this attribute of the CloudEvent
 *   {"x": EXPRESSION}                 what the expression gives of the whole CloudEvent
 *   {"t": EXPRESSION, "a": ATTRIBUTE} true if it gives true, or the attribute's own value, of that value
 *   {"r": PATTERN, "a": ATTRIBUTE}    true if the text matches */
typedef struct pw_matcher {
    pw_str digest;          /* hex SHA-256 of type and parts */
    pw_str type;            /* of the CloudEvent; empty: any */
    pw_str parts;           /* JSON array */
} pw_matcher;

/* Messages that are to be delivered to an open bookmark of kind MESSAGE. Ends with its bookmark at the latest. */
typedef struct pw_subscription {
    uint64_t visit;         /* of the bookmark: a listen has one */
    uint32_t ordinal;       /* names it within the visit */
    pw_matcher matcher;
    pw_str hash;            /* hex SHA-256 of the matcher's digest and the canonical JSON array of the values expected */
} pw_subscription;

typedef struct pw_subscription_end {
    uint64_t visit;
    uint32_t ordinal;
} pw_subscription_end;

typedef struct pw_message_taken { /* the delivery that has had its effect */
    uint64_t visit;
    uint64_t number;
} pw_message_taken;

typedef struct pw_fault {
    pw_str task;
    uint64_t visit;
    pw_str kind;            /* pw_fault_kind_name */
    pw_str error;           /* problem object as JSON */
    pw_str class_;          /* pw_error_class_name */
    uint32_t attempt;       /* attempts made */
    pw_str decision;        /* "incident", "suspend", "compensate" */
    pw_str resolution;      /* it is over as soon as it came up: "compensating"; empty: it is open */
    pw_str action;          /* what a person should check and type next */
} pw_fault;

/* An attempt that has failed, and that the policy gives another one: for who counts. */
typedef struct pw_retried {
    const struct pw_retried *next;
    pw_fault_kind kind;
    pw_error_class class_;
} pw_retried;

/* A branch of a fork with many, stored apart from the state: the others are not written with it. */
typedef struct pw_branch_row {
    uint64_t fork;          /* its visit */
    uint32_t number;        /* from 0 */
    pw_str state;           /* JSON that refers to payloads */
} pw_branch_row;

typedef struct pw_state pw_state; /* opaque: the open scopes of an instance, its data */

#define PW_WAKE_NEVER INT64_MIN /* only a bookmark or a command can move it; stored as NULL */

typedef struct pw_transition {
    bool changed;           /* false: nothing to commit; `code` and `message` say why. Of a MESSAGE: PAWL_BUSY: not now,
                             * keep it; else it is not wanted here, and free for others */
    pawl_code code;         /* for the caller of a command: PAWL_OK, or why it was refused */
    pw_str message;
    pawl_reason reason;     /* beside the code */
    bool repeated;          /* changed is false, and code PAWL_OK: it was so before */
    pw_status status;
    pw_state *state;        /* for the next step, once committed */
    pw_str state_text;      /* the same, for the store; JSON that refers to payloads */
    int64_t wake_at;        /* for the row: 0: needs driving now (calls or activities in flight, or cut); PW_WAKE_NEVER; else ms */
    int64_t timer_at;       /* for the owner's timers: when to send PW_EVENT_TIMER (a timeout beside a call in
                             * flight has one while wake_at is 0); PW_WAKE_NEVER: no timer */
    bool cut;               /* the limit of tasks was reached: send PW_EVENT_DRIVE after the commit */
    pw_str entries;         /* log entries as a JSON array that refers to payloads */
    pw_value whole_entries; /* the same without references; PW_NONE: `entries` has none */
    const pw_payload *payloads; /* large values that the store may not have yet */
    size_t payload_count;
    const uint64_t *fork_ends; /* forks whose branch rows go, all of them */
    size_t fork_end_count;
    const pw_branch_row *branches; /* rows that are added, or replace those of the same fork and number */
    size_t branch_count;
    pw_str output;          /* JSON; COMPLETED */
    pw_str error;           /* JSON problem; FAULTED */
    pw_bookmark *bookmarks;
    size_t bookmark_count;
    pw_bookmark_end *bookmark_ends;
    size_t bookmark_end_count;
    pw_bookmark_change *bookmark_changes;
    size_t bookmark_change_count;
    pw_outbox_event *events;
    size_t event_count;
    pw_call_intent *calls;
    size_t call_count;
    pw_call_outcome *outcomes;
    size_t outcome_count;
    pw_work *work;
    size_t work_count;
    pw_inbox_message *messages;
    size_t message_count;
    pw_subscription *subscriptions;
    size_t subscription_count;
    pw_subscription_end *subscription_ends;
    size_t subscription_end_count;
    pw_message_taken *taken;
    size_t taken_count;
    pw_fault *fault;        /* NULL: none. Opens an incident */
    const pw_retried *retried; /* NULL: none */
    pw_str resolution;      /* the incident that was open is over: "retried", "failed", "cancelled", "continued", "skipped",
                             * "moved", "compensating", "rewound"; by the step's actor. Empty: it stays as it is */
    pw_undo_step *undo;     /* rows of the compensation plan that are added, or take the place of those of the same key */
    size_t undo_count;
    pw_undo_change *undo_changes; /* PAWL_CORRUPT is that item's code if there is no such row */
    size_t undo_change_count;
    pw_str cause;           /* JSON: what of the event its log entries do not tell (replay.c): with it the step can be decided
                             * once more. Refers to payloads. Empty: the kind and the time of the event are all of it */
} pw_transition;

/* ------------------------------------------------------------------ step */

typedef struct pw_core_settings {
    pw_str generation;            /* of the store: part of every idempotency key */
    const pw_str *past;           /* generations of stores that it was restored from: what was asked for in them */
    size_t past_count;
    uint32_t tasks_per_step;      /* 0: 1000; more are left to the next step */
    const pw_fault_policy *faults; /* NULL: pw_fault_policy_default */
    uint64_t long_running_ms;     /* TimeoutThreshold: who lives longer is told of, once; 0: nobody */
    pw_on_unknown on_unknown;     /* of tasks that say nothing; DEFAULT: resend */
} pw_core_settings;

/* Who the instance is; from its row. */
typedef struct pw_identity {
    pw_str instance;
    pw_str correlation;
    uint64_t sequence;            /* of the step being decided: the read token + 1; the first is 1 */
    int64_t created_ms;
} pw_identity;

/* One step. `state` NULL: PW_EVENT_START. Everything in *out lives in `arena`, in which `state` must also
 * live (or outlive it); nothing `state` points to is changed, so on a failed commit the old state is
 * still good. An expression that fails or an activity's error is part of the transition, not an error
 * of this function: PAWL_NO_MEMORY; PAWL_CORRUPT: the state does not fit the program; PAWL_INVALID: its data
 * are larger than PW_PAYLOAD_WHOLE_MAX. */
PAWL_CHECK pawl_code pw_core_step(pw_transition *out, const pw_program *program,
                                  const pw_state *state, const pw_identity *identity,
                                  const pw_event *event, const pw_core_settings *settings,
                                  pw_expr_machine *machine, pw_arena *arena, pawl_error *err);

/* Stored text to state and back. `source` NULL: a reference to a payload is PAWL_CORRUPT, as is one that is
 * not there or not what it should be. PAWL_CORRUPT: not readable, or not of this program; PAWL_SCHEMA: written
 * by a newer program. */
PAWL_CHECK pawl_code pw_state_parse(pw_state **out, pw_str text, const pw_program *program,
                                    const pw_payload_source *source, pw_arena *arena,
                                    pawl_error *err);
/* The same, of an instance whose branches have rows: `branches` is a JSON array of [fork, number, state], ordered by
 * fork and number; empty: there are none. */
PAWL_CHECK pawl_code pw_state_parse_branches(pw_state **out, pw_str text, pw_str branches,
                                             const pw_program *program, const pw_payload_source *source,
                                             pw_arena *arena, pawl_error *err);
/* The whole of a state as text, its branches too, for pw_state_parse_branches. */
typedef struct pw_state_text {
    pw_str text, branches;
    const pw_payload *payloads; /* all that they refer to */
    size_t payload_count;
} pw_state_text;
PAWL_CHECK pawl_code pw_state_save(pw_state_text *out, const pw_state *state, pw_arena *arena, pawl_error *err);
/* Stored log entries, with what they refer to in its place. */
PAWL_CHECK pawl_code pw_entries_parse(pw_value *out, pw_str text, const pw_payload_source *source,
                                      pw_arena *arena, pawl_error *err);
/* A deep copy that shares nothing with the old arena: compaction. Large values stay shared, and known. */
PAWL_CHECK pawl_code pw_state_copy(pw_state **out, const pw_state *state, pw_arena *arena, pawl_error *err);
pw_status pw_state_status(const pw_state *state);
/* As pw_transition.timer_at; after a load. */
int64_t pw_state_timer(const pw_state *state, const pw_core_settings *settings);
bool pw_state_moves(const pw_state *state);    /* its timer may take it further, not only tell that somebody is late */
bool pw_state_hears(const pw_state *state);    /* some listen can take a message now */
bool pw_state_is_schedule(const pw_state *state); /* it is a schedule, and no run of the workflow */
bool pw_state_cut(const pw_state *state);      /* tasks are ready to run: send PW_EVENT_DRIVE */
/* The attempts of activities that the state wants, for recovery; in `arena`. */
PAWL_CHECK pawl_code pw_state_work(pw_work **out, size_t *count, const pw_state *state,
                                   const pw_program *program, const pw_identity *identity,
                                   const pw_core_settings *settings, pw_arena *arena, pawl_error *err);
/* One of them; false: it is not wanted (any more). In `arena`. */
bool pw_state_work_of(pw_work *out, const pw_state *state, const pw_program *program, uint64_t visit, pw_arena *arena);
/* Whether a call whose fate nobody knows is to be sent again, as it was; else send PW_EVENT_CALL_LOST. */
bool pw_state_resends(const pw_state *state, const pw_core_settings *settings, uint64_t visit);
/* What the program says of a task that is being called, together with the call of the function around it; false: nothing. */
bool pw_state_resilience(pw_resilience *out, const pw_state *state, uint64_t visit);
/* An incident of it is open: it has faulted, or is suspended because of it, and is not finished. */
bool pw_state_tells_parent(const pw_state *state); /* its parent is told how it ends */
bool pw_state_has_incident(const pw_state *state);
/* True if the attempt of this visit is still wanted (its result would change the instance). */
bool pw_state_wants(const pw_state *state, uint64_t visit, uint32_t attempt);
/* What the instance waits for: a JSON array as pawl_show documents it. */
pw_value pw_state_waits(const pw_state *state, const pw_program *program, pw_arena *arena);
pw_value pw_state_input(const pw_state *state); /* the raw input of the workflow */
pw_value pw_state_input_of(const pw_state *state, uint64_t visit); /* of an open task; PW_NONE: it is not open */

/* The data that an EDIT changes: {"context": ..., "input": of the task that has faulted, before its input.from}; "input" is
 * absent if no incident is open, or it is the workflow's own. */
pw_value pw_state_data(const pw_state *state, pw_arena *arena);
/* For people, and to tell by a diff what a command would do: {"status", "suspendedBy", "suspendedReason", "incident": bool,
 * "data": as above, "waits": as pw_state_waits}. */
pw_value pw_state_view(const pw_state *state, const pw_program *program, pw_arena *arena);

/* ---- compensation (compensate.c)
 *
 * What a task has done is a row as soon as it is done; the state has only how many there are. When they are to be undone,
 * the state asks for rows, a page at a time, and is told them by PLAN. */
typedef struct pw_plan_wanted {
    uint64_t visit;         /* who asks: the PLAN has it as `visit` */
    uint64_t below;         /* only lower ordinals; the PLAN has it as `number` */
    uint32_t most;          /* rows */
    pw_str scope;           /* JSON pointer: only of this task, and those inside it; empty: all */
} pw_plan_wanted;
/* True: rows of states REGISTERED and UNKNOWN (and RUNNING: left from a crash of what ran before it was asked again) are to be
 * read, from the highest ordinal down, and given by PLAN. */
bool pw_state_plan_wanted(pw_plan_wanted *out, const pw_state *state);
/* How many steps were ever registered: 0: there is nothing to undo. */
uint64_t pw_state_undo_count(const pw_state *state);
/* What is open now and would be a step of unknown outcome, if the instance were compensated as it stands: in `arena`, without
 * ordinals. */
PAWL_CHECK pawl_code pw_state_undo_open(pw_undo_step **out, size_t *count, const pw_state *state, const pw_program *program,
                                        pw_arena *arena, pawl_error *err);
/* The task that a step of the plan is about; NULL: the program has no such task, or it is not undone. */
const pw_task *pw_program_task(const pw_program *program, pw_str pointer);

/* ---- replay (replay.c): the state as it was, out of the log
 *
 * The seed of a step is made of its instance and number (pw_step_seed), so that nothing but the log is needed. */
uint64_t pw_step_seed(pw_str instance, uint64_t sequence);

typedef struct pw_past_step { /* as its row has it */
    uint64_t sequence;
    pw_str event, cause; /* name of the kind; pw_transition.cause */
    pw_str entries;
    int64_t at_ms;
    pw_str actor;
} pw_past_step;

typedef struct pw_replay pw_replay;
/* Begins anew with step 1. Of the settings only `generation` and `past` matter; all arguments are borrowed. */
PAWL_CHECK pawl_code pw_replay_new(pw_replay **out, const pw_program *program, const pw_identity *identity,
                                   const pw_core_settings *settings, const pw_payload_source *source,
                                   pw_expr_machine *machine, pawl_error *err);
void pw_replay_free(pw_replay *replay);
/* The next step: decides it again, and compares what it gives with its entries. The new state is in `arena`, or points into
 * that of the one before. PAWL_STATE: they differ, so that the state cannot be told (made by another version): the message
 * names the step and what differs. */
PAWL_CHECK pawl_code pw_replay_step(pw_replay *replay, const pw_past_step *step, pw_arena *arena, pawl_error *err);
/* The same, but stops where the task of this visit is about to begin, which must be in this step: PAWL_NOT_FOUND. */
PAWL_CHECK pawl_code pw_replay_until(pw_replay *replay, const pw_past_step *step, uint64_t visit, pw_arena *arena,
                                     pawl_error *err);
/* Copies the state into another arena: what it was in may be given up. */
PAWL_CHECK pawl_code pw_replay_move(pw_replay *replay, pw_arena *arena, pawl_error *err);
const pw_state *pw_replay_state(const pw_replay *replay); /* behind the last step; NULL: before the first */

/* The id of a schedule of this definition that follows another schedule; `before` empty: the first. */
pw_str pw_schedule_id(pw_arena *arena, pw_str namespace_, pw_str name, pw_str version, pw_str before);
#endif
