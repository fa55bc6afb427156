/* ledger.h - what the ledger keeps of an instance: ledger.c and ledger_faults.c. */
#ifndef SIM_LEDGER_H
#define SIM_LEDGER_H

#include "sim.h"

typedef struct visit {
    bool begun, ended, faulted, consumed, works;
    uint32_t lost;     /* attempts that came to nothing, and are followed by another */
    uint64_t handed;   /* attempts that were handed out, as bits */
    uint64_t answered; /* attempts that workers have answered, as bits */
    char *key, *input; /* of its attempts; NULL: none yet */
    bool waits;        /* for its next attempt, not before due_ms */
    int64_t due_ms;
    bool kept;         /* it has its result, kept until the incident is over */
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

typedef struct account {
    char id[PW_ID_SIZE];
    sim_entry entry;
    int64_t first_ms, last_ms;
    visit *visits; /* by number, from 0 */
    uint64_t visit_room;
    step *steps; /* by sequence, from 0 */
    uint64_t step_room;
    uint32_t parent; /* who has asked for it; 0: nobody */
    bool awaited, told, let_go;
    uint32_t flow;
    bool warned; /* of its long run */
    int64_t incident_ms[INCIDENTS_MAX];
} account;

visit *sim_visit_of(account *a, uint64_t number);

/* ---- ledger_faults.c */

/* An entry of the log of a step. */
void sim_faults_entry(account *a, uint32_t alias, pw_str type, pw_value entry, visit *of, const pw_commit_item *item);
/* Before its entries, and behind them. */
void sim_faults_begin(account *a, uint32_t alias, const pw_commit_item *item);
void sim_faults_end(account *a, uint32_t alias, const pw_commit_item *item);
#endif
