/* step.h - inside core: the state of an instance, and one step in the making. */
#ifndef PW_CORE_STEP_H
#define PW_CORE_STEP_H

#include "core/core.h"
#include "base/digest.h"

#define PW_SCOPES_MAX 120u      /* frames inside frames: lexical nesting and function calls */
#define PW_TASKS_PER_STEP 1000u /* default of pw_core_settings */
/* Events of this size end the step: their text is held in memory until the commit. */
#define PW_EVENT_BYTES_PER_STEP (8u << 20)
#define PW_LITERALS_PER_STEP 16u /* told of with their places; the others are counted */
#define PW_LOOP_ITEMS_MAX 1000000u
#define PW_DEPTH_MAX 64u /* workflows started one by the other */
/* What is sent to other instances, before the rest of the tasks is left to the next step. */
#define PW_MESSAGE_BYTES_PER_STEP (8u << 20)
#define PW_WIDE_FORK 8u         /* from so many branches on they are stored apart: branches.c */
#define PW_INCIDENTS_KEPT 100u  /* whose times a state remembers */
#define PW_WHOLE_MESSAGE "the data of the instance are larger than the limit of 256 MiB"

/* Where a frame stands.
 *
 *  READY --begin--> BODY ----------------.            (do, for, fork, try, function)
 *    |               |  '--fault--> RETRY --due--> BODY       (try)
 *    |               '--fault--> HANDLER --.                  (try)
 *    |--> TIMER --due, or by hand----------+--> finished, and gone
 *    |--> CALL, WORK, USER --result--------'
 *    |     |     '--failure--> RETRY --due--> CALL, WORK: the next attempt
 *    |--> CHILD --its end------------------'
 *    |--> LISTEN --enough messages---------'   LISTEN --message--> BODY --its end--> LISTEN
 *    |         '--result, asleep--> PARKED --awake--> finished or faulted
 *    |--> finished at once: set, switch, raise, emit, a false `if`
 *    '--error, caught by nothing--> FAULTED --retry--> READY, or the call again that was lost
 *
 *  A step of a compensation plan: PLANNED --its turn--> READY, and on as any other. */
typedef enum pw_phase {
    PHASE_READY,
    PHASE_BODY,
    PHASE_HANDLER,
    PHASE_RETRY,
    PHASE_TIMER,
    PHASE_CALL,
    PHASE_WORK,
    PHASE_USER,
    PHASE_PARKED,
    PHASE_FAULTED, /* nothing caught its error: the instance has faulted; kept for who mends it */
    PHASE_LISTEN,  /* a message may come; while its foreach runs it is in BODY, and what comes waits */
    PHASE_CHILD,   /* another instance runs */
    PHASE_PLANNED, /* a step of a compensation plan whose turn has not come */
} pw_phase;
#define PHASE_COUNT 13

/* One open visit of a task; the root stands for the workflow and has no task. */
typedef struct pw_frame pw_frame;
typedef struct pw_node pw_node;
struct pw_frame {
    pw_frame *parent, *child, *last, *next; /* children in the order in which they began */
    const pw_task *task;
    pw_phase phase;
    uint64_t visit;   /* unique in the instance; the root's is 0 */
    uint64_t path;    /* names this visit whatever number it has: a task run again by a retry of its
                       * try has the same path, and so its calls the same idempotency key */
    uint32_t ordinal; /* children begun in the present run of its list */
    uint32_t attempt; /* calls and work: from 1; RETRY: the one that has failed; try: retries made; FAULTED: 0:
                       * the data were changed since, and what was asked is not asked again as it was */
    uint32_t at;      /* for: index of the item; fork: branches not yet finished; user: instants told of;
                       * COMPENSATE: 1: the plan was read to its end */
    int64_t started_ms;
    int64_t first_ms;   /* try: when the first attempt began */
    uint64_t limit_ms;  /* calls and work: of one attempt, by what the task says of its resilience; 0: nothing */
    int64_t timeout_ms; /* instant; PW_WAKE_NEVER: none */
    int64_t due_ms;     /* instant of a wait, a retry, the limit of an attempt, or of what a person is late
                         * with; of the root: the start, which is yet to come; PW_WAKE_NEVER */
    pw_value raw;       /* as it came; PW_NONE: the same as input */
    pw_value input;     /* transformed: $input */
    pw_value items;     /* for: the collection; fork: outputs so far, null where there is none; PW_NONE:
                         * it is wide, and they are in */
    pw_node *branches;  /* wide fork: those that this step has not touched, and what became of the
                         * others; else NULL */
    pw_value error;     /* try: the error being handled; a fork that competes: of the last branch that
                         * failed; WORK, RETRY of a call or work: of the attempt before; PARKED: the error to
                         * raise, or PW_NONE; FAULTED, a root that has faulted: the error */
    unsigned class_;    /* 1 + pw_error_class of `error`, if an attempt ended with it; 0: the error tells */
    pw_value context;   /* a competing branch's own, once it has exported; else PW_NONE */
    pw_value args;      /* calls: what was evaluated for them; user: see people.c; PARKED: the output; a
                         * root that has faulted: the workflow's raw output, if that is where it failed;
                         * COMPENSATE: see compensate.c */
    pw_str key;         /* calls: idempotency key; user, timer, listen: bookmark key; child: its id; READY, FAULTED:
                         * in doubt is what was asked under this key */
    uint64_t entry;   /* of a step of a compensation plan: its ordinal; of a COMPENSATE: the lowest that is
                       * loaded, or was: what is below has still to be asked for */
    pw_str branch;    /* of a step of a compensation plan: pw_undo_step.branch */
    bool doubt;       /* calls and work: an attempt may have had its effect that nobody has heard of; a function
                       * with an undo: something in it may have; PLANNED: so may what it is to undo */
    const pw_resilience *around; /* of the nearest call of a function around it that says something; NULL */
    bool schedule;      /* root: of the program's schedule, not of its workflow */
    bool gone;          /* closed in this step; not stored */
};

struct pw_state {
    pw_status status;
    uint64_t visits; /* given out so far */
    int64_t started_ms;
    pw_value input; /* raw input of the workflow */
    pw_value context;
    pw_str suspended_by, suspended_reason;
    pw_str parent; /* who waits for this instance's end; empty: nobody, or it has been told */
    uint64_t parent_visit;
    uint32_t depth; /* parents above it */
    bool incident;  /* one is open: it is FAULTED, or SUSPENDED because of it, and not finished */
    int64_t *incidents; /* when the last ones came up, oldest first */
    uint32_t incident_count;
    uint64_t undo_count; /* steps of its compensation plan that were ever registered: the last ordinal */
    bool compensating; /* the program's own COMPENSATE is open: the whole is being undone */
    int64_t told_ms; /* it was told that it runs for long, when it should have ended until then; PW_WAKE_NEVER */
    pw_frame *root;
    const pw_known *known; /* large values that are in the store as payloads, once this state is */
};

/* Nothing moves it but a command: what comes is kept. */
static inline bool pw_is_asleep(const pw_state *state)
{
    return state->status == PW_SUSPENDED || pw_status_ended(state->status);
}

/* Nothing is kept for it any more. */
static inline bool pw_is_over(const pw_state *state)
{
    return pw_status_ended(state->status) && !state->incident;
}

/* A call or an activity that waits for its next attempt; a try has a bookmark for it. */
static inline bool pw_frame_tries_again(const pw_frame *frame)
{
    return frame->phase == PHASE_RETRY && frame->task->kind != PW_TASK_TRY;
}

/* What is said of calls directly in `frame` by the call of a function that it is, or is in; NULL: nothing. */
static inline const pw_resilience *pw_frame_around(const pw_frame *frame)
{
    bool own = frame->task && frame->task->kind == PW_TASK_FUNCTION && frame->task->resilience;
    return own ? frame->task->resilience : frame->around;
}

/* It is to start later. */
static inline bool pw_is_pending(const pw_state *state)
{
    return state->root->due_ms != PW_WAKE_NEVER;
}

/* It undoes what another task has done: a step of a compensation plan. */
static inline bool pw_undo_is_step(const pw_frame *frame)
{
    return frame->parent && frame->parent->task && frame->parent->task->kind == PW_TASK_COMPENSATE;
}

/* Somebody is asked whether this step is to be carried out: nobody knows whether there is anything to undo. */
static inline bool pw_undo_is_asked(const pw_frame *frame)
{
    return pw_undo_is_step(frame) && frame->phase == PHASE_FAULTED && frame->doubt && !frame->started_ms;
}

/* Growing arrays of the transition. */
typedef struct pw_list_of {
    void *items;
    size_t count, size;
} pw_list_of;

/* A string that loose mode took as text in this step, because its expression failed. */
typedef struct pw_literal {
    const pw_template *tmpl;
    const pw_frame *frame; /* of the first time */
    pw_value problem;      /* the same */
    uint64_t times;
} pw_literal;

/* A step of the log that is decided once more: what settings have decided then is taken from its entries, and what a
 * service has answered was read then. */
typedef struct pw_again {
    pw_value entries;
    uint64_t until; /* the visit before whose beginning it stops; 0: none */
    bool reached;   /* out: it did */
} pw_again;

typedef struct pw_step {
    const pw_program *program;
    const pw_identity *identity;
    const pw_event *event;
    const pw_core_settings *settings;
    pw_expr_machine *machine;
    pw_arena *arena;
    pw_state *state;
    uint64_t seed;
    uint32_t budget; /* tasks that may still begin */
    uint32_t begun;
    pw_again *again; /* NULL: it is decided for the first time */
    const pw_state_text *rewound; /* the state that it goes back to; NULL: it does not */
    pw_value took, took_error; /* what has become of the event's payload or error: as entries have it */
    size_t message_bytes;
    bool cut;
    bool ended;       /* nothing runs any more */
    pw_frame **queue; /* READY frames, first in first out */
    size_t queue_head, queue_count, queue_size;
    pw_array_builder entries;
    pw_list_of bookmarks, bookmark_ends, bookmark_changes, events, calls, outcomes, work, messages,
        subscriptions, subscription_ends, taken, undo, undo_changes;
    uint64_t visits_before; /* this step */
    pw_list_of branch_rows, fork_ends;
    size_t event_bytes;
    pw_fault *fault;
    const pw_retried *retried;
    pw_str resolution;
    pw_value output, error; /* of the workflow, once it ended */
    pw_value answer;        /* for a parent that has asked for compensation: what came of it */
    bool undoing;           /* what is let go of is to be undone: children are not cancelled, but compensated */
    pw_list_of literals;    /* pw_literal */
    uint64_t more_literals; /* that are not in the list */
    pw_value thrown;        /* the problem that the last failed evaluation made */
    jmp_buf *guard;
    pawl_code abort_code;
    pawl_error *err;
} pw_step;

/* What becomes of an event: a command may be refused, or have nothing to do; then there is no transition. */
typedef struct pw_verdict {
    bool act;
    bool repeated; /* it is done already */
    pawl_code code;
    pawl_reason reason;
    pw_str message;
} pw_verdict;

/* ---- step.c */
static inline pw_verdict pw_done(void)
{
    return (pw_verdict){ .act = true };
}
pw_verdict pw_refused(pw_step *step, pawl_code code, pawl_reason reason, const char *format, ...)
    PW_PRINTF(4, 5);
pw_verdict pw_repeated(const char *message); /* a constant */
pw_verdict pw_has_ended(const pw_step *step);
pw_verdict pw_step_take(pw_step *step); /* does what its event wants */
pw_verdict pw_step_cancel(pw_step *step);
pw_frame *pw_step_find(pw_step *step, uint64_t visit, pw_phase phase); /* NULL: it is not open */
void pw_step_begin(pw_step *step); /* the workflow, now: its time may have come */
void pw_step_enter(pw_step *step); /* the same, but that nobody is told again that it has started */
/* A new timeout of the workflow, from now. False: it cannot be computed, and the workflow has failed. */
bool pw_step_start_clock(pw_step *step);
void pw_step_wake(pw_step *step); /* it is not asleep any more: what has waited for it goes on */
/* The same in two parts: what is ready is queued; then, if it has not ended, results that were kept go on. */
void pw_step_rouse(pw_step *step);
void pw_step_go_on(pw_step *step);
void pw_record_command(pw_step *step, const char *type, const pw_frame *frame); /* by, reason */
/* ... and these, as by pw_record; at most six. */
void pw_record_command_with(pw_step *step, const char *type, const pw_frame *frame,
                            const pw_member *more, size_t count);
/* Only an instance is suspended (dsl A-40): its tasks that have begun follow it. */
void pw_tasks_follow(pw_step *step, pw_life kind);
_Noreturn void pw_step_abort(pw_step *step, pawl_code code, const char *what);
void *pw_step_push(pw_step *step, pw_list_of *list, size_t item_size); /* zeroed */
#define PW_PUSH(step, list, type) ((type *)pw_step_push((step), &(step)->list, sizeof(type)))

/* pw_core_step, for the first time or again. */
PAWL_CHECK pawl_code pw_step_decide(pw_transition *out, const pw_program *program, const pw_state *state,
                                    const pw_identity *identity, const pw_event *event,
                                    const pw_core_settings *settings, pw_again *again,
                                    pw_expr_machine *machine, pw_arena *arena, pawl_error *err);

/* ---- cause.c: events in the log */
pw_value pw_cause_of(pw_step *step, pw_value entries); /* at its end; PW_NONE: the entries tell all */
/* `event` has kind, actor and time, and gets the rest. False: it is not readable, or out of memory. */
bool pw_cause_read(pw_event *event, pw_value cause, pw_value entries, pw_arena *arena);

/* ---- replay.c: what settings had decided, in a step that is decided again */
pw_fault_result pw_again_attempt(const pw_step *step, const pw_frame *frame);
pw_fault_result pw_again_stop(const pw_step *step);
pw_str pw_again_suspended(const pw_step *step); /* why, by itself */
pw_str pw_again_key(const pw_step *step, const pw_frame *frame); /* of the call that begins; empty: it does not say */

/* ---- rewind.c: it goes on from a state that it had, or another instance begins there */
pw_verdict pw_rewind(pw_step *step);
pw_verdict pw_rewind_start(pw_step *step); /* of the state of a START, which is empty yet */

/* ---- catch.c: what a try makes of an error inside it */
typedef struct pw_catch {
    enum { CATCH_NOT, CATCH_RETRY, CATCH_HANDLE, CATCH_GO_ON } kind;
    bool failed; /* NOT: a condition failed, and has made another problem */
    uint64_t delay_ms;
} pw_catch;
/* Decides without changing anything. *problem becomes another one where a condition itself fails.
 */
pw_catch pw_catch_decide(pw_step *step, pw_frame *frame, pw_value *problem);
void pw_catch_act(pw_step *step, pw_frame *frame, const pw_catch *decision, pw_value problem);
/* When and how often a retry policy tries again; `error` is what its conditions see. False: one of its expressions
 * has failed, step->thrown says how. */
bool pw_retry_settings_of(pw_step *step, pw_frame *frame, const pw_retry_policy *policy,
                          pw_value error, bool *applies, pw_retry_settings *out);

/* ---- flow.c: scopes and order */
pw_frame *pw_flow_spawn(pw_step *step, pw_frame *parent, const pw_task *task, pw_value raw);
pw_frame *pw_flow_add(pw_step *step, pw_frame *parent, const pw_task *task, pw_value raw); /* not queued */
void pw_flow_detach(pw_step *step, pw_frame *frame); /* it is no child any more */
void pw_flow_run(pw_step *step); /* until nothing is ready, or the budget is spent */
void pw_flow_enqueue(pw_step *step, pw_frame *frame);
void pw_flow_start_list(pw_step *step, pw_frame *frame, pw_value data); /* its list by its phase */
/* What a raw output becomes, with `as`, export and their schemas; false: step->thrown. */
bool pw_flow_shape(pw_step *step, pw_frame *frame, const pw_template *output_as,
                   const pw_template *export_as, const pw_schemas *schemas, pw_value *output);
void pw_flow_finish(pw_step *step, pw_frame *frame, pw_value output);   /* raw output */
void pw_flow_finish_then(pw_step *step, pw_frame *frame, pw_value output, pw_flow then);
/* Who will deal with an error, and how; nothing has changed yet. */
typedef struct pw_catcher {
    pw_frame *frame;   /* a try, or a fork that outlives it; NULL: nobody */
    pw_catch decision; /* of a try */
    pw_value problem;  /* as it goes outward */
    bool replaced;     /* ... another one: a condition of a try has failed */
} pw_catcher;
pw_catcher pw_flow_catcher(pw_step *step, pw_frame *frame, pw_value problem); /* of an error in `frame` */
void pw_flow_raise(pw_step *step, pw_frame *frame,
                   pw_value problem); /* the task of `frame` failed */
void pw_flow_raise_to(pw_step *step, pw_frame *frame, pw_value problem, const pw_catcher *catcher);
void pw_flow_raise_within(pw_step *step, pw_frame *frame,
                          pw_value problem);       /* something inside it failed */
void pw_flow_skip(pw_step *step, pw_frame *frame, const char *why); /* as by a false `if` */
void pw_flow_put(pw_step *step, pw_frame *frame, pw_value output); /* skipped, but with this output, shaped */
void pw_flow_close(pw_step *step, pw_frame *frame,
                   const char *why);               /* frame and all inside it: cancelled */
void pw_flow_close_inside(pw_step *step, pw_frame *scope, const char *why); /* all inside it */
void pw_flow_complete(pw_step *step, pw_value output); /* the workflow, with its raw output */
void pw_flow_complete_with(pw_step *step, pw_value output); /* ... with its output */
void pw_flow_end(pw_step *step, pw_status status); /* the workflow has ended */
void pw_flow_due(pw_step *step);                   /* fires everything due at event->now_ms */

/* ---- tasks.c: what each kind of task does */
void pw_task_begin(pw_step *step, pw_frame *frame);
void pw_task_next_item(pw_step *step, pw_frame *frame, pw_value data); /* for */
void pw_task_retry(pw_step *step, pw_frame *frame);                    /* try: its delay is over */

/* ---- fork.c: branches side by side */
void pw_fork_begin(pw_step *step, pw_frame *frame);
pw_value pw_fork_context(const pw_step *step, const pw_frame *frame); /* $context, seen from there */
void pw_fork_export(pw_step *step, pw_frame *frame, pw_value context); /* `frame` has exported */
void pw_fork_branch_ends(pw_step *step, pw_frame *branch); /* well, and is about to go */
void pw_fork_branch_done(pw_step *step, pw_frame *fork, uint32_t branch, pw_value output);
bool pw_fork_branch_skipped(pw_step *step, pw_frame *fork); /* true: a race, and dealt with */
bool pw_fork_outlives(const pw_frame *fork); /* a race with others in it: an error ends a branch */
void pw_fork_branch_failed(pw_frame *fork, pw_value problem);

/* ---- branches.c: wide forks */

/* What frames that rest wait for, all together. */
typedef struct pw_rest {
    int64_t wake_ms;            /* the earliest instant; PW_WAKE_NEVER */
    uint64_t low, high;         /* no other visits have a call, work, a child or a listen; none: low > high */
    uint64_t key_low, key_high; /* no other hashes of keys that may be answered by hand */
    uint32_t open;              /* branches */
    uint32_t ready, active, hears; /* frames that are READY; that have a call or work; that LISTEN */
    uint32_t held, again;          /* that are PARKED, FAULTED or PLANNED; whose call or work waits for its next attempt */
    uint32_t undoing, plans;       /* COMPENSATEs; those of them that ask for more of the plan */
    uint32_t moves; /* frames that some instant takes further: what tells only that somebody is late is none */
    uint64_t whole;             /* bytes that their rows refer to */
} pw_rest;
pw_rest pw_rest_none(void);
void pw_rest_add(pw_rest *to, const pw_rest *more);
pw_rest pw_frames_rest(const pw_frame *top); /* of these frames, and of what rests in them */

typedef struct pw_slot {
    enum { SLOT_OPEN, SLOT_DONE, SLOT_OUT } kind;
    pw_rest rest;
    const pw_state *owner; /* the state that it is new in */
    pw_frame *frame;       /* OPEN: of the branch; has no parent */
    pw_value output;       /* DONE */
} pw_slot;

/* Which branches a step looks for; some others may be woken too. */
typedef struct pw_search {
    enum {
        SEARCH_ALL,
        SEARCH_READY,
        SEARCH_HELD,
        SEARCH_AGAIN,
        SEARCH_DUE,
        SEARCH_VISIT,
        SEARCH_KEY
    } kind;
    uint64_t number; /* VISIT; hash of a KEY */
    int64_t now_ms;  /* DUE: until then */
} pw_search;
pw_search pw_search_key(pw_str key);

bool pw_fork_is_wide(const pw_task *task);
void pw_branches_begin(pw_step *step, pw_frame *fork);
/* What is wanted of them becomes children of the fork, in their order. */
void pw_branches_wake(pw_step *step, pw_frame *fork, const pw_search *want);
/* As pw_frame_walk; wakes what is wanted, and goes there too. */
pw_frame *pw_step_walk(pw_step *step, pw_frame *frame, const pw_frame *top, pw_search want);
/* A branch is no child any more. PW_NONE: it has no output. */
void pw_branches_ended(pw_step *step, pw_frame *fork, uint32_t at, pw_value output);
/* The one of this visit that has a call or work, wherever it rests; NULL: none. */
const pw_frame *pw_frames_active(const pw_frame *top, uint64_t visit);
pw_value pw_branches_outputs(pw_step *step, const pw_frame *fork);
void pw_branches_drop(pw_step *step, pw_frame *fork); /* the fork has ended */
/* The end of a step: children of wide forks go to rest; then what is new there is written. */
void pw_branches_settle(pw_step *step, pw_frame *top);
void pw_branches_seal(pw_step *step, const pw_frame *top, pw_putting *put);
/* Reading: all slots of a fork, copied; false: out of memory. */
bool pw_branches_load(pw_arena *arena, pw_frame *fork, const pw_slot *slots);
const pw_slot *pw_branches_slot(const pw_frame *fork, uint32_t at); /* NULL: there is none */
/* Each frame, and those that rest, in preorder. */
void pw_frames_each(const pw_frame *top, void (*look)(void *context, const pw_frame *frame),
                    void *context);
/* The same, with the forks that a frame rests in: what rests has no parent. NULL: in none. */
typedef struct pw_around {
    const pw_frame *fork;
    const struct pw_around *outer;
} pw_around;
typedef void (*pw_look_around)(void *context, const pw_frame *frame, const pw_around *around);
void pw_frames_each_around(const pw_frame *top, pw_look_around look, void *context);
/* The frame that it is in, wherever that rests; NULL: it is the root. *around goes outwards with it. */
const pw_frame *pw_frame_outside(const pw_frame *frame, const pw_around **around);

/* ---- call.c: http, activities */
void pw_call_http(pw_step *step, pw_frame *frame);
void pw_call_http_result(pw_step *step, pw_frame *frame, const pw_call_result *result);
void pw_call_http_lost(pw_step *step, pw_frame *frame);
void pw_call_http_late(pw_step *step, const pw_event *event);
void pw_call_activity(pw_step *step, pw_frame *frame);
void pw_call_activity_result(pw_step *step, pw_frame *frame, pw_value result);
void pw_call_activity_failed(pw_step *step, pw_frame *frame, pw_value error);
void pw_call_activity_lost(pw_step *step, pw_frame *frame);
void pw_call_again(pw_step *step, pw_frame *frame); /* the next attempt, now */
void pw_call_settle(pw_step *step, pw_frame *frame, pw_value output,
                    pw_value error); /* go on, or park */
pw_work pw_call_work_of(const pw_frame *frame, pw_arena *arena);
/* What is said of a task that is being called, by itself or by the call of the function around it. */
pw_resilience pw_call_resilience(const pw_frame *frame);
pw_frame *pw_call_function(const pw_frame *frame); /* the call of a function that frame->around is of */
pw_on_unknown pw_call_on_unknown(const pw_frame *frame, const pw_core_settings *settings);

/* ---- fault.c: attempts that fail, and errors that nothing catches */
typedef struct pw_failure {
    pw_value problem;
    pw_error_class class_;
    bool final;              /* no attempt can help */
    uint64_t retry_after_ms; /* 0: not asked for */
} pw_failure;
/* An attempt of a call or of work has ended badly, and its outcome is recorded. */
void pw_fault_attempt(pw_step *step, pw_frame *frame, const pw_failure *failure);
/* The same, once it is clear that there is no other attempt; of any task that waited. The frame is PARKED. */
void pw_fault_raise(pw_step *step, pw_frame *frame, pw_value problem);
/* Nothing has caught it: an incident. */
void pw_fault_stop(pw_step *step, pw_frame *at, pw_value problem);
static inline bool pw_fault_is(const pw_frame *frame, pw_error_class class_)
{
    return frame->class_ == 1 + (unsigned)class_;
}
/* The request may have had its effect: only the same may be sent again. */
static inline bool pw_fault_is_unknown(const pw_frame *frame)
{
    return frame->task && frame->task->kind == PW_TASK_HTTP && pw_fault_is(frame, PW_CLASS_UNKNOWN);
}

/* ---- incident.c: what people do about it */
/* An attempt of it may have had its effect, and nobody knows. */
static inline bool pw_frame_in_doubt(const pw_frame *frame)
{
    return frame->doubt || pw_fault_is_unknown(frame);
}
pw_frame *pw_incident_frame(pw_step *step); /* what has faulted; NULL: the workflow itself */
pw_verdict pw_incident_retry(pw_step *step);
pw_verdict pw_incident_fail(pw_step *step);
void pw_incident_over(pw_step *step, const char *resolution); /* it is over, if there is one */
/* It is over by what somebody has done: what has faulted begins again, what was kept meanwhile goes on. */
void pw_incident_mend(pw_step *step, const char *resolution);
void pw_incident_leave(pw_step *step, const char *resolution); /* ... and nothing has begun yet */
void pw_incident_resumed(pw_step *step); /* tells of it, before anything changes */
pw_verdict pw_incident_may_begin(pw_step *step); /* refused, if what has faulted cannot begin again */
/* Refused, if `frame` (may be NULL) is in doubt, or in flight, and nobody has said that this is known; `what` would be done. */
pw_verdict pw_incident_confirmed(pw_step *step, const pw_frame *frame, const char *what);
pw_member pw_incident_confirmation(const pw_step *step, const pw_frame *frame); /* for the log: it was, and somebody has said so */

/* ---- mend.c: ... other than to try again */
pw_verdict pw_mend_skip(pw_step *step);
pw_verdict pw_mend_goto(pw_step *step);
pw_verdict pw_mend_edit(pw_step *step);
pw_verdict pw_mend_input_fits(pw_step *step, const pw_task *task, pw_value input); /* refused, if it does not */

/* ---- remedy.c: onFault, a person is asked about an incident */
bool pw_remedy_is(const pw_frame *frame);       /* it asks so: a child of the root, outside of its list */
bool pw_remedy_alone(const pw_frame *root);     /* nothing else is in it */
pw_value pw_remedy_form(pw_step *step, const pw_task *task); /* a schema of answers, where none is given */
/* The incident of step->fault has opened at `at`; if the definition wants it, somebody is asked. */
void pw_remedy_open(pw_step *step, const pw_frame *at, pw_value problem, uint32_t attempts);
void pw_remedy_close(pw_step *step); /* it is over */
pw_verdict pw_remedy_answer(pw_step *step, pw_frame *frame, pw_value answer);

/* ---- people.c: user tasks */
void pw_user_begin(pw_step *step, pw_frame *frame);
bool pw_user_open(pw_step *step, pw_frame *frame); /* the same; false: step->thrown, and it is not open */
void pw_user_due(pw_step *step, pw_frame *frame); /* it is due, or overdue: told once each */
pw_verdict pw_user_answer(pw_step *step, pw_frame *frame); /* by the event, a RESUME */
pw_verdict pw_user_command(pw_step *step, pw_frame *frame); /* CLAIM, RELEASE, DELEGATE, COMMENT */
typedef struct pw_user_described { /* for people; PW_NONE: absent */
    pw_value assigned_to, candidates, claimed_by, claimed_until, priority, due_at;
} pw_user_described;
pw_user_described pw_user_describe(const pw_frame *frame, pw_arena *arena);

/* ---- resume.c: bookmarks by their keys */
pw_verdict pw_resume(pw_step *step);
pw_verdict pw_bookmark_command(pw_step *step);
pw_str pw_bookmark_key(pw_step *step, const pw_frame *frame); /* NAME-VISIT */
/* It is answered, by the event's actor with its data; the caller tells of it. */
void pw_bookmark_consume(pw_step *step, const pw_frame *frame);
pw_str pw_event_digest(pw_step *step); /* of the event's data */
pw_str pw_event_actor(pw_step *step);  /* "system" if there is none */

/* ---- listen.c: messages */
void pw_listen_begin(pw_step *step, pw_frame *frame);
/* PAWL_OK: taken; PAWL_BUSY: not now; PAWL_NOT_FOUND: it does not want this one. Nothing has changed but when taken.
 * `number` 0: it is no delivery but a RESUME. */
pawl_code pw_listen_message(pw_step *step, pw_frame *frame, uint64_t number, pw_value message);
void pw_listen_item_done(pw_step *step, pw_frame *frame, pw_value output); /* its foreach has run once */
/* The same for who is no listen task: opens the bookmark and subscribes. False: an expression failed, and the frame has
 * raised it. When it has heard enough, the bookmark is closed and pw_schedule_heard is called. */
bool pw_listen_open(pw_step *step, pw_frame *frame, const pw_listen *listen);
bool pw_listen_is_open(const pw_frame *frame); /* it has a bookmark and subscriptions */
void pw_listen_close(pw_step *step, pw_frame *frame, bool consumed); /* ... and now it has none */
bool pw_listen_sound(const pw_frame *frame); /* of a stored frame, in LISTEN or BODY */
pw_value pw_listen_described(const pw_frame *frame, pw_arena *arena); /* for people: what it waits for */

/* ---- child.c: instances that start others */
void pw_child_begin(pw_step *step, pw_frame *frame);
void pw_child_ended(pw_step *step, pw_frame *frame, pw_value output, pw_value error);
void pw_child_late(pw_step *step, const pw_event *event);
void pw_child_let_go(pw_step *step, const pw_frame *frame); /* nobody waits for it any more */
void pw_child_tell_parent(pw_step *step); /* this instance has ended */
/* Puts a row for another instance into the transition; the texts are borrowed. */
void pw_child_message(pw_step *step, pw_str target, pw_str key, const char *kind, pw_value payload);

/* ---- schedule.c: when the next one starts */
void pw_schedule_begin(pw_step *step, pw_frame *frame);
void pw_schedule_due(pw_step *step, pw_frame *frame);
void pw_schedule_heard(pw_step *step, pw_frame *frame, pw_value messages); /* `on` is satisfied: an array, as read */
bool pw_schedule_is_deaf(const pw_frame *frame); /* what it listens for must wait */
bool pw_schedule_waits_for(const pw_frame *frame, pw_str child);
void pw_schedule_child_ended(pw_step *step, pw_frame *frame, pw_value error);
/* {fired, last, next, runs}: for people */
pw_value pw_schedule_described(const pw_frame *frame, pw_arena *arena);

/* ---- undo.c: what was done leaves a row, by which it can be undone */
void pw_undo_done(pw_step *step, pw_frame *frame, pw_value output); /* it has ended well */
/* It is let go of. If it may have had its effect, it leaves a row of unknown outcome; and its child, if it has one. */
void pw_undo_left(pw_step *step, pw_frame *frame);
void pw_undo_child(pw_step *step, pw_frame *frame); /* its child has ended, well or not */
/* It is asked for once more, under this key; under the one before it may have had its effect. */
void pw_undo_asked_anew(pw_step *step, pw_frame *frame, pw_str key);
bool pw_undo_keeps_child(const pw_frame *frame); /* its child has a row of its own */
bool pw_undo_any(pw_step *step);                 /* there is, or was, something to undo */
/* What a task is called with: its template, or the arguments of a step of a plan. False: step->thrown. */
bool pw_task_with(pw_step *step, pw_frame *frame, const pw_template *with, pw_value *out);

/* ---- compensate.c: what was done is undone */
pw_verdict pw_undo_command(pw_step *step);      /* COMPENSATE */
pw_verdict pw_undo_plan(pw_step *step);         /* PLAN */
bool pw_undo_on_fault(pw_step *step, const pw_frame *at); /* the definition wants it, rather than an incident */
bool pw_undo_on_cancel(pw_step *step);
/* The whole, because of `trigger`; `error`: what it has faulted with, or PW_NONE. */
void pw_undo_begin_whole(pw_step *step, const char *trigger, pw_value error);
void pw_undo_compensate(pw_step *step, pw_frame *frame); /* a COMPENSATE begins */
void pw_undo_begin(pw_step *step, pw_frame *frame);      /* a step begins */
/* A step is over: DONE, FAILED (with its error) or SKIPPED. */
void pw_undo_over(pw_step *step, pw_frame *frame, pw_undo_state state, pw_value error);
void pw_undo_closed(pw_step *step, const pw_frame *frame); /* a step is let go of, and may be carried out again */
bool pw_undo_wants(const pw_frame *frame); /* a COMPENSATE: more of the plan */
void pw_undo_wake(pw_step *step); /* what could not begin while the instance was asleep */
pw_str pw_undo_advice(pw_step *step, const pw_frame *at, pw_str action); /* the same, and what of the plan is left */

/* ---- http.c */
/* What `task`, an undo, is to be called with: an object; `frame` is what it undoes. False: step->thrown. */
bool pw_http_arguments(pw_step *step, pw_frame *frame, const pw_task *task, pw_value output, pw_value *out);
bool pw_http_render(pw_step *step, pw_frame *frame, pw_call_request *out); /* false: step->thrown */
bool pw_http_read(pw_step *step, pw_frame *frame, const pw_call_result *result, pw_value *out);
pw_str pw_http_endpoint(pw_arena *arena, pw_str uri);        /* without query and fragment */
pw_str pw_http_endpoint_of(pw_step *step, pw_frame *frame);  /* for people: rendered again; empty: it cannot be */
pw_str pw_http_service_of(pw_arena *arena, pw_str endpoint); /* scheme://host:port */
uint64_t pw_http_retry_after(const pw_call_result *result, int64_t now_ms); /* 0: not asked for */
pw_value pw_http_request_value(pw_step *step, const pw_call_request *request);
pw_str pw_http_outcome(pw_step *step, const pw_call_result *result);
pw_value pw_base64_value(pw_arena *arena, pw_str bytes);

/* ---- eval.c: expressions with their arguments */
/* False: it failed, and step->thrown is the problem. `output` PW_NONE where $output is not
 * available. */
bool pw_eval(pw_step *step, pw_frame *frame, const pw_expr *expr, pw_value dot, pw_value output,
             pw_value *out);
bool pw_eval_template(pw_step *step, pw_frame *frame, const pw_template *tmpl, pw_value dot,
                      pw_value output, pw_value *out);
bool pw_eval_true(pw_step *step, pw_frame *frame, const pw_expr *expr, pw_value dot, bool *out);
bool pw_eval_delay(pw_step *step, pw_frame *frame, const pw_delay *delay, pw_duration *out);

/* ---- data.c: schemas; a schema that is PW_NONE lets everything through */
/* Whether something does not fit; *words say what. `whole`: how to call the data. */
bool pw_data_problem(pw_step *step, pw_value schema, pw_value data, const char *whole,
                     pw_str *words);
/* False: they do not fit, and step->thrown is the error. `what`: "input" */
bool pw_data_fits(pw_step *step, const pw_frame *frame, pw_value schema, pw_value data,
                  const char *what);

/* ---- problem.c */
pw_value pw_problem(pw_step *step, const pw_frame *frame, const char *suffix, int status,
                    const char *title, const char *format, ...) PW_PRINTF(6, 7);
int32_t pw_problem_status(pw_value problem);

/* ---- record.c: log entries, events */
/* {"type":type,"task":...,"visit":...} and `more` (count members, PW_NONE left out). */
void pw_record(pw_step *step, const char *type, const pw_frame *frame, const pw_member *more,
               size_t count);
#define PW_RECORD(step, type, frame, ...)                                                          \
    do {                                                                                           \
        const pw_member more_[] = { __VA_ARGS__ };                                                 \
        pw_record(step, type, frame, more_, PW_LENGTH(more_));                                     \
    } while (0)
/* Told by one entry for each string and step, however often it happens. */
void pw_record_literal(pw_step *step, const pw_frame *frame, const pw_template *tmpl,
                       pw_value problem);
void pw_record_literals(pw_step *step); /* at the end of the step */
pw_value pw_text_value(pw_arena *arena, const char *format, ...) PW_PRINTF(2, 3);
pw_value pw_moment_value(pw_arena *arena, int64_t ms);
pw_value pw_str_value(pw_str s); /* PW_NONE if empty; borrows */
/* Puts a CloudEvent into the outbox and gives it back; `with` are its attributes. */
bool pw_record_event(pw_step *step, pw_frame *frame, pw_value with, pw_value *out);
/* Events about the instance and its tasks, as far as the definition wants them. `what`: the error,
 * the output, or the correlation keys, by kind; else PW_NONE. */
void pw_record_lifecycle(pw_step *step, pw_life kind, pw_value what);
/* To whom it may concern, in the outbox; `data` is about the instance and what `more` adds. */
void pw_record_notice(pw_step *step, pw_frame *frame, const char *type, const pw_member *more,
                      size_t count);
void pw_record_task_lifecycle(pw_step *step, pw_life kind, const pw_frame *frame, pw_value what);
static inline void pw_record_task(pw_step *step, pw_life kind, const pw_frame *frame, pw_value what)
{
    if (step->program->lifecycle.tasks & PW_BIT(kind))
        pw_record_task_lifecycle(step, kind, frame, what);
}

/* ---- state.c */
pw_state *pw_state_clone(const pw_state *state,
                         pw_arena *arena); /* frames are new, values shared */
pw_frame *pw_frame_clone(const pw_frame *from, pw_arena *arena); /* and what is in it; no parent */
/* `put`: in the same arena. ptr NULL: put->whole is above its limit, or memory has run out. */
pw_str pw_branch_text(const pw_slot *slot, const pw_frame *fork, pw_putting *put);
pw_str pw_state_write(const pw_state *state, pw_putting *put);
/* When it is told that it runs for long; PW_WAKE_NEVER: it is not, or was told of. */
int64_t pw_state_long_running(const pw_state *state, const pw_core_settings *settings);
int64_t pw_state_wake(const pw_state *state, const pw_core_settings *settings); /* for the row */
int64_t pw_frame_wake(const pw_frame *frame); /* earliest of its own instants */
pw_frame *pw_frame_walk(pw_frame *frame,
                        const pw_frame *top); /* next in preorder under top; NULL: done */
pw_value pw_frame_raw(const pw_frame *frame);
const pw_list *pw_frame_list(const pw_frame *frame,
                             const pw_program *program); /* the list that it runs */
#endif
