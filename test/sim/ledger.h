/* ledger.h - what the ledger keeps of an instance: ledger.c and ledger_faults.c. */
#ifndef SIM_LEDGER_H
#define SIM_LEDGER_H

#include "sim.h"

typedef struct visit {
    bool begun, ended, faulted, consumed, works;
    bool done;         /* it has ended as completed */
    uint32_t lost;     /* attempts that came to nothing, and are followed by another */
    uint64_t handed;   /* attempts that were handed out, as bits */
    uint64_t answered; /* attempts that workers have answered, as bits */
    char *key, *input; /* of its attempts; NULL: none yet */
    char *task;
    bool waits;        /* for its next attempt, not before due_ms */
    int64_t due_ms;
    bool kept;         /* it has its result, kept until the incident is over */
    bool held;         /* ... or had, and it was no error */
    bool keeps_error;  /* ... which is an error */
    uint64_t sent;     /* attempts that were sent to a service, as bits */
    uint64_t unknown;  /* those of which nobody knows what became */
    sim_said said;     /* by the text, of its task */
    bool known;        /* `said` is */
} visit;

typedef struct step {
    uint64_t digest;
    bool reported;
} step;

#define INCIDENTS_MAX 256

/* A step of a compensation plan. */
typedef struct undo {
    uint64_t ordinal;
    char *key, *task, *branch, *child;
    pw_undo_state state;
    uint64_t by; /* the visit of what undoes it; 0: none yet */
} undo;

/* A key under which something took effect outside. */
typedef struct effect {
    char *key;
    bool denied; /* a request with it was answered by an error, too: whoever sends again after a crash hears that only */
} effect;

/* Somebody has asked for compensation: the visit of what carries it out. */
typedef struct asked {
    uint64_t visit;
    uint64_t from, until; /* the highest ordinal that there was before its step, and behind it */
    char *scope;
    bool whole; /* all of the step was before it */
    bool counted, over;
} asked;

typedef struct account {
    char id[PW_ID_SIZE];
    sim_entry entry;
    int64_t first_ms, last_ms;
    visit *visits; /* by number, from 0 */
    uint64_t visit_room;
    step *steps; /* by sequence, from 0 */
    uint64_t step_room;
    uint32_t parent; /* who has asked for it; 0: nobody */
    bool awaited, let_go;
    uint32_t told, asked_undo; /* how often it has told its parent of its end, and was asked for its compensation */
    uint32_t flow;
    bool warned; /* of its long run */
    int64_t incident_ms[INCIDENTS_MAX];
    undo *undo;
    uint32_t undo_count, undo_room;
    uint64_t undo_last; /* ordinal */
    asked asked[256];
    uint32_t asked_count;
    effect *effects;
    uint32_t effect_count, effect_room;
    bool fed; /* with data that its text does not expect */
} account;

account *sim_account(uint32_t alias);

visit *sim_visit_of(account *a, uint64_t number);

/* ---- ledger_faults.c */

bool sim_mends(pw_str task); /* it is the task of an onFault: an answer ends it, whatever comes of it */

/* An entry of the log of a step. */
void sim_faults_entry(account *a, uint32_t alias, pw_str type, pw_value entry, visit *of, const pw_commit_item *item);
/* Before its entries, and behind them. */
void sim_faults_begin(account *a, uint32_t alias, const pw_commit_item *item);
void sim_faults_end(account *a, uint32_t alias, const pw_commit_item *item);

/* ---- ledger_undo.c: of an entry; behind the entries of a step */
void sim_undo_entry(account *a, uint32_t alias, pw_str type, pw_value entry);
void sim_undo_step(account *a, uint32_t alias, const pw_commit_item *item);
/* The task of the call or job that has this key; empty: none. */
pw_str sim_ledger_task_of(pw_str key);
#endif
