/* program.h - a checked workflow definition, ready to be run. Made by lang, read by core.
 *
 * Everything lives in the program's arena and is never written after lang returned it, so that
 * all threads may share it. References are counted.
 *
 * Tasks are numbered in the order in which their entries stand in the document, use.functions first,
 * then do, parents before children; those of a task's metadata behind its children. The number is part of the stored state: this
 * order must not change. */
#ifndef PW_PROGRAM_H
#define PW_PROGRAM_H

#include "base/moment.h"
#include "base/value.h"
#include "expr/expr.h"
#include "policy/retry.h"

/* Slots of the expressions' arguments. */
enum {
    PW_SLOT_CONTEXT,
    PW_SLOT_INPUT,
    PW_SLOT_OUTPUT,
    PW_SLOT_SECRETS,
    PW_SLOT_TASK,
    PW_SLOT_WORKFLOW,
    PW_SLOT_RUNTIME,
    PW_SLOT_AUTHORIZATION,
    PW_SLOT_LEXICAL, /* from here on: for.each, for.at, catch.as by lexical nesting */
};

#define PW_TASKS_MAX 100000u  /* in one document */
#define PW_NESTING_MAX 40u    /* of tasks in tasks: two slots each at most */
#define PW_NAME_MAX 63u       /* namespace, name: DNS label */

typedef struct pw_task pw_task;
typedef struct pw_program pw_program;

/* What a lifecycle event tells of. The language's names. */
typedef enum pw_life {
    PW_LIFE_CREATED,
    PW_LIFE_STARTED,
    PW_LIFE_SUSPENDED,
    PW_LIFE_RESUMED,
    PW_LIFE_RETRIED,
    PW_LIFE_CORRELATION_STARTED,
    PW_LIFE_CORRELATION_COMPLETED,
    PW_LIFE_CANCELLED,
    PW_LIFE_FAULTED,
    PW_LIFE_COMPLETED,
} pw_life;
#define PW_LIFE_COUNT 10
#define PW_LIFE_ALL ((1u << PW_LIFE_COUNT) - 1)
#define PW_LIFE_OF_WORKFLOW (PW_LIFE_ALL & ~(PW_BIT(PW_LIFE_CREATED) | PW_BIT(PW_LIFE_RETRIED)))
#define PW_LIFE_OF_TASKS                                                                           \
    (PW_LIFE_ALL & ~(PW_BIT(PW_LIFE_CORRELATION_STARTED) | PW_BIT(PW_LIFE_CORRELATION_COMPLETED)))
const char *pw_life_name(pw_life kind); /* "correlation-started" */

/* Which of them the definition wants in the outbox. */
typedef struct pw_lifecycle {
    unsigned workflow, tasks;          /* PW_BIT(PW_LIFE_...) */
    bool workflow_output, task_output; /* `completed` carries it */
} pw_lifecycle;

typedef enum pw_flow_kind { PW_FLOW_CONTINUE, PW_FLOW_EXIT, PW_FLOW_END, PW_FLOW_GOTO } pw_flow_kind;

typedef struct pw_flow {
    pw_flow_kind kind;
    uint32_t target; /* GOTO: position in the same list */
} pw_flow;

typedef struct pw_list {
    const pw_task **tasks;
    uint32_t count;
} pw_list;

/* A value some of whose strings are expressions. */
typedef enum pw_template_kind {
    PW_TEMPLATE_CONST, /* value */
    PW_TEMPLATE_EXPR,  /* expr's first output */
    PW_TEMPLATE_LOOSE, /* the same, or value, the string itself, where expr fails */
    PW_TEMPLATE_ARRAY, /* items[count] */
    PW_TEMPLATE_OBJECT /* keys[count]: items[count] */
} pw_template_kind;

typedef struct pw_template pw_template;
struct pw_template {
    pw_template_kind kind;
    uint32_t count;
    pw_value value;
    const pw_expr *expr;
    const pw_template *items;
    const pw_str *keys;
};

/* A duration written in the document, or computed. */
typedef struct pw_delay {
    bool given;
    pw_duration constant;        /* if tmpl is NULL */
    const pw_template *tmpl; /* gives a string or an object */
} pw_delay;

typedef struct pw_error_template { /* raise.error */
    const pw_expr *whole;  /* `error: ${ $error }`: the object to raise; else NULL and: */
    pw_str type;           /* if it is literal, as written */
    const pw_template *type_computed; /* else */
    int32_t status;
    const pw_template *title, *detail, *instance; /* NULL: absent */
} pw_error_template;

typedef struct pw_retry_policy {
    const pw_expr *when, *except_when; /* NULL: always, never; `.` and the catch's variable are the error */
    pw_delay delay, jitter_from, jitter_to, delay_max, total;
    pw_delay attempt;       /* limit.attempt.duration: one attempt of the try list */
    pw_backoff backoff;
    double factor;
    uint32_t count;         /* PW_RETRY_UNLIMITED without a limit */
} pw_retry_policy;

/* What becomes of a call when nobody knows whether it had its effect: after a crash, a timeout, a broken connection. */
typedef enum pw_on_unknown {
    PW_ON_UNKNOWN_DEFAULT, /* as configured; resend */
    PW_ON_UNKNOWN_RESEND,  /* the same request with the same key, as an attempt */
    PW_ON_UNKNOWN_ASK,     /* an incident: a person decides */
    PW_ON_UNKNOWN_FAULT,   /* an error, which a try may catch: communication, 502 */
} pw_on_unknown;

/* metadata.pawl.resilience of a task that calls outside. What is absent (0, NULL, empty) is as configured. */
typedef struct pw_resilience {
    const pw_retry_policy *retry; /* instead of the configured one; its count 0: no retries */
    pw_delay timeout;             /* of one attempt */
    pw_on_unknown on_unknown;
    /* Of HTTP calls: */
    pw_str service;               /* circuitBreaker.name; empty: scheme, host and port */
    uint32_t failures, throughput;
    uint64_t window_ms, break_ms;
    bool fail_when_open;          /* onOpen: fail; else the call waits for the breaker */
    uint32_t at_once;             /* bulkhead.maxConcurrent */
    double per_second;            /* rateLimit */
} pw_resilience;

typedef enum pw_task_kind {
    PW_TASK_DO,
    PW_TASK_SET,
    PW_TASK_SWITCH,
    PW_TASK_FOR,
    PW_TASK_FORK,
    PW_TASK_TRY,
    PW_TASK_RAISE,
    PW_TASK_WAIT,
    PW_TASK_EMIT,
    PW_TASK_HTTP,
    PW_TASK_USER,     /* call: userTask */
    PW_TASK_FUNCTION, /* call: a name in use.functions */
    PW_TASK_ACTIVITY, /* call: anything else: a function registered in the process */
    PW_TASK_LISTEN,
    PW_TASK_RUN,      /* run: workflow */
    PW_TASK_SCHEDULE, /* of the whole workflow: run by an instance of its own, which starts the others */
    PW_TASK_COMPENSATE, /* call: compensate; or the program's own, which undoes the whole */
} pw_task_kind;

/* metadata.pawl.compensate of a task: how its effect is undone. The task is in no list: it runs in a COMPENSATE only, with the
 * arguments that were evaluated when the other one ended. They are its `with` (of EMIT: event.with; of an HTTP call: method,
 * endpoint, headers, query and body), and its `if`: false: there is nothing to undo. `.` and $output are the output of what
 * is undone, $input its input. It has timeout and resilience, but no input, output, export or then of its own. */
typedef enum pw_when_unknown { PW_UNKNOWN_ASK, PW_UNKNOWN_RUN, PW_UNKNOWN_SKIP } pw_when_unknown;

typedef struct pw_undo {
    const pw_task *task;          /* HTTP, ACTIVITY, FUNCTION, USER or EMIT; task->undoes is what it undoes */
    bool optional;                /* its metadata.pawl.required is false: an error is told of, and let pass */
    pw_when_unknown when_unknown; /* its metadata.pawl.whenUnknown: what to do if nobody knows whether there is anything to undo */
} pw_undo;

/* What a person may answer to metadata.pawl.onFault. */
typedef enum pw_remedy { PW_REMEDY_RETRY, PW_REMEDY_SKIP, PW_REMEDY_FAIL, PW_REMEDY_COMPENSATE } pw_remedy;
#define PW_REMEDY_COUNT 4

typedef enum pw_http_output { PW_HTTP_CONTENT, PW_HTTP_RAW, PW_HTTP_RESPONSE } pw_http_output;

/* ---- messages */

/* What one attribute of a message must be: equal to a value, match a pattern, or satisfy an expression, whose `.`
 * is the attribute's value and which gives true or that value. */
typedef enum pw_want_kind { PW_WANT_VALUE, PW_WANT_PATTERN, PW_WANT_EXPR } pw_want_kind;

typedef struct pw_want {
    pw_str attribute;            /* "type", "source", "data", ... */
    pw_want_kind kind;
    const pw_template *value;    /* VALUE: constant, or an expression without `.`: evaluated when the listen begins */
    const pw_expr *expr;         /* EXPR, PATTERN: a test of `.` */
    pw_str source;               /* PATTERN, EXPR: as written */
    bool of_instance;            /* EXPR: uses variables, so only the instance can tell */
} pw_want;

typedef struct pw_correlation {  /* correlate.NAME */
    pw_str name;
    const pw_expr *from;         /* `.` is the whole message */
    pw_str source;               /* of from */
    bool of_instance;            /* from uses variables */
    const pw_template *expect;   /* NULL: the first value seen is expected of the others */
} pw_correlation;

typedef struct pw_filter {
    pw_str type;                 /* constant; empty: any, or one of `wants` */
    const pw_want *wants;        /* without a constant type */
    uint32_t want_count;
    const pw_correlation *correlations;
    uint32_t correlation_count;
} pw_filter;

typedef enum pw_listen_kind { PW_LISTEN_ONE, PW_LISTEN_ANY, PW_LISTEN_ALL } pw_listen_kind;
typedef enum pw_read_kind { PW_READ_DATA, PW_READ_ENVELOPE, PW_READ_RAW } pw_read_kind;

typedef struct pw_listen {
    pw_listen_kind kind;
    pw_read_kind read;
    const pw_filter *filters;    /* ANY of none: every message */
    uint32_t count;
    /* ANY: how it ends. None of the three: with the first message. */
    const pw_expr *until;        /* `.`: the messages so far, as read */
    bool for_ever;               /* until is constant, and false */
    const struct pw_listen *until_heard; /* a strategy of its own, whose messages are not part of the output */
} pw_listen;

/* ---- schedules */

typedef enum pw_schedule_kind { PW_SCHEDULE_EVERY, PW_SCHEDULE_CRON, PW_SCHEDULE_AFTER, PW_SCHEDULE_ON } pw_schedule_kind;
typedef enum pw_overlap { PW_OVERLAP_ALLOW, PW_OVERLAP_SKIP, PW_OVERLAP_WAIT } pw_overlap; /* WAIT: one, when it has ended */
typedef enum pw_catch_up { PW_CATCH_UP_ONE, PW_CATCH_UP_ALL, PW_CATCH_UP_NONE } pw_catch_up;

typedef struct pw_schedule {
    pw_schedule_kind kind;
    pw_duration period;          /* EVERY, AFTER */
    const struct pw_cron *cron;  /* CRON: base/cron.h; with its time zone */
    pw_listen on;                /* ON */
    pw_overlap overlap;          /* metadata.pawl.schedule.overlap; default allow */
    pw_catch_up catch_up;        /* ... .catchUp: of firings missed while nobody was there; default one */
} pw_schedule;

typedef enum pw_parent_close { PW_CLOSE_CANCEL, PW_CLOSE_LEAVE } pw_parent_close;

typedef struct pw_case {
    pw_str name;
    const pw_expr *when; /* NULL: the default, taken when no other case is, wherever it stands */
    pw_flow then;
} pw_case;

typedef struct pw_pair_template {
    pw_str name;
    const pw_template *value;
} pw_pair_template;

/* JSON Schemas of what comes in and goes out, checked; PW_NONE: none. */
typedef struct pw_schemas {
    pw_value input, output, export_;
} pw_schemas;

struct pw_task {
    pw_task_kind kind;
    uint32_t index;      /* in program->tasks */
    uint32_t position;   /* in its list */
    uint32_t line, column;
    pw_str name;
    pw_str pointer;      /* "/do/0/charge", escaped by RFC 6901 */
    pw_value definition; /* the task as written, for $task.definition */

    const pw_expr *condition;      /* if; NULL: always */
    const pw_template *input_from; /* NULL: unchanged; a string in class E is an EXPR */
    const pw_template *output_as, *export_as;
    const pw_schemas *schemas;     /* NULL: none */
    pw_delay timeout;
    pw_flow then;
    const pw_resilience *resilience; /* NULL: as configured */
    const pw_undo *undo;           /* metadata.pawl.compensate; NULL: none */
    const pw_task *undoes;         /* this is the task of somebody's undo; NULL */
    const pw_task *on_fault;       /* metadata.pawl.onFault: a USER task that is opened if this one, or one inside it, ends in an
                                    * incident; NULL: that of the task around it, then the program's */

    union {
        pw_list body;              /* DO */
        const pw_template *set;    /* SET */
        struct {
            const pw_case *cases;
            uint32_t count;
        } choice;                  /* SWITCH */
        struct {
            const pw_template *in;
            const pw_expr *while_; /* NULL: always */
            uint32_t each_slot, at_slot;
            pw_str each, at;       /* names, for the log */
            pw_list body;
        } loop;                    /* FOR */
        struct {
            pw_list branches;
            bool compete;          /* the first branch that ends well wins */
        } fork;                    /* FORK */
        struct {
            pw_list body;
            bool has_errors;
            pw_str type;           /* errors.with members; ptr NULL: not given. type is as written */
            int32_t status;        /* -1: not given */
            pw_str title, detail, instance;
            uint32_t as_slot;
            pw_str as;
            const pw_expr *when, *except_when;
            const pw_retry_policy *retry; /* NULL: none */
            bool has_handler;
            pw_list handler;       /* catch.do */
            pw_flow then;          /* catch.then; CONTINUE without one means the task's own `then` */
            bool has_then;
        } attempt;                 /* TRY */
        pw_error_template error;   /* RAISE */
        pw_delay wait;             /* WAIT */
        const pw_template *event;  /* EMIT: event.with, an object */
        struct {
            const pw_template *method;   /* constant in the DSL; upper case */
            const pw_template *endpoint; /* CONST string: a URI template; EXPR: the URI */
            const pw_template *headers, *query, *body; /* NULL: none */
            const pw_template *user, *password, *token; /* basic: user and password; bearer: token */
            pw_http_output output;
            bool redirect;
        } http;                    /* HTTP */
        struct {
            const pw_template *with; /* NULL: {}; members as in the manual */
            pw_value form;           /* form.schema, if it is constant; PW_NONE: none, or computed */
            unsigned actions;        /* of an on_fault: PW_BIT(PW_REMEDY_...), at least one; else 0 */
        } user;                    /* USER */
        struct {
            pw_str name;
            int32_t priority;      /* ACTIVITY: metadata.pawl.priority; higher goes first */
            const pw_template *with; /* NULL: {} */
            const pw_task *body;   /* FUNCTION: the task in use.functions; ACTIVITY: NULL */
        } call;                    /* FUNCTION, ACTIVITY */
        struct {
            pw_listen to;
            bool each;             /* foreach is given */
            uint32_t item_slot, at_slot;
            pw_str item, at;       /* names, for the log */
            pw_list body;          /* foreach.do */
            const pw_template *output_as, *export_as; /* of foreach */
            pw_schemas schemas;    /* the same */
        } listen;                  /* LISTEN */
        struct {
            pw_str namespace_, name;
            pw_str version;        /* empty: the newest published */
            const pw_template *input; /* NULL: the task's input */
            bool await;
            pw_parent_close close; /* metadata.pawl.parentClose: what becomes of a living child when nobody waits for it
                                    * any more; default: cancel if awaited, else leave */
        } run;                     /* RUN */
        pw_schedule schedule;      /* SCHEDULE */
        pw_str scope;              /* COMPENSATE: JSON pointer of the task what was done in which is undone; empty: all */
    } as;
};

struct pw_program {
    pw_arena arena;
    unsigned references;     /* by pw_program_ref and unref only */
    pw_str namespace_, name, version, dsl;
    pw_str title;
    pw_str digest;           /* hex SHA-256 of the canonical JSON of the document */
    pw_value document;       /* as read */
    pw_str error_base;       /* what error types of ours begin with, in this document's spelling */
    const pw_template *input_from, *output_as;
    pw_schemas schemas;      /* of input and output */
    pw_delay timeout;
    pw_lifecycle lifecycle;
    const pw_task **tasks;   /* by index */
    uint32_t task_count;
    pw_list body;            /* do */
    const pw_task *on_fault; /* document.metadata.pawl.onFault; NULL: none */
    bool undo_on_fault, undo_on_cancel; /* document.metadata.pawl.compensation.on */
    pw_list schedule;        /* of no task, or of one: SCHEDULE, behind the last of `do` */
    pw_list compensation;    /* of no task, or of one: the COMPENSATE of the whole, if anything has an undo, or a `run` is awaited;
                              * the last of `tasks` */
    const pw_str *activities; /* names that need a registered function, each once */
    uint32_t activity_count;
};

pw_program *pw_program_new(void);              /* NULL: out of memory; one reference */
pw_program *pw_program_ref(pw_program *program); /* any thread */
void pw_program_unref(pw_program *program);    /* any thread; the last one frees; NULL is fine */

/* The standard error types: suffixes of error_base. */
#define PW_ERROR_HOST "https://open-workflow-specification.org/spec/1.0.0/errors/"
#define PW_ERROR_HOST_OLD "https://serverlessworkflow.io/spec/1.0.0/errors/"
/* The suffix ("timeout") if `type` is a standard type in any of its four spellings
 * ({open-workflow-specification.org, serverlessworkflow.io} x {spec/1.0.0/errors, dsl/errors/types}); else empty. */
pw_str pw_error_suffix(pw_str type);
/* Equal as error types: the spellings of one standard type are equal. */
bool pw_error_type_eq(pw_str a, pw_str b);
#endif
