/* audit.h - what must never be and is: found, said with its cause and what to do, and kept until it is gone.
 *
 * audit_look.c looks once, and judges rows by what the owner's memory knows; audit.c goes round; why.c asks for one instance. */
#ifndef PW_AUDIT_H
#define PW_AUDIT_H

#include "engine/background.h"
#include "store/store.h"

#define PW_AUDIT_MS 60000u        /* a round */
#define PW_OVERDUE_MS 60000u      /* what is late by so much is a finding */
#define PW_AUDIT_ROUND 20000u     /* rows of a kind that one round looks at; the next goes on behind them */
#define PW_AUDIT_AT_ONCE 200000u  /* the same of one that somebody has asked for */
#define PW_AUDIT_KEPT 100u        /* findings of a kind that are kept; of more it is said how many there are */

typedef struct pw_audit_finding {
    const char *kind;     /* of pw_audit_kind_name(), or "store", "service", "job", "trouble", "breaker", "incident" ... */
    bool warning;         /* it may be, but somebody should look; else it must never be */
    pw_str instance;      /* empty: of none */
    pw_str task;          /* empty: not known */
    pw_str what, cause, remedy; /* sentences */
    int64_t since_ms;     /* -1: not known */
    /* by which it is known again: */
    pw_str how, key;
    uint64_t number;
    bool of_row;          /* it is of a row, on the page behind this cursor: */
    pw_str page;
    bool sure;            /* two rounds in a row have seen it */
    bool told;            /* the log has it */
} pw_audit_finding;

/* One look: what it finds is in `arena`, where `items` grows. */
typedef struct pw_audit_findings {
    pw_audit_finding *items;
    size_t count, room;
    uint64_t more[PW_AUDIT_KINDS]; /* of a kind, that were not kept */
    uint64_t checked[PW_AUDIT_KINDS]; /* rows */
    bool partial;         /* there are rows that it did not come to */
} pw_audit_findings;

typedef struct pw_audit_look_at {
    pawl *p;
    pw_arena *arena;      /* of what is found */
    pw_arena *scratch;    /* of what is looked at */
    pw_audit_findings *out;
    int64_t now_ms, before_ms;
} pw_audit_look_at;
void pw_audit_look_begin(pw_audit_look_at *look, pawl *p, pw_audit_findings *out, pw_arena *arena);
/* One page of rows behind the cursor: findings among them are added; *next: the cursor behind it. */
PAWL_CHECK pawl_code pw_audit_page(pw_audit_look_at *look, pw_audit_kind kind, pw_str after, uint32_t limit, uint32_t *looked,
                                   pw_str *next, pawl_error *err);
/* All that is no row: the store, the services, what waits for people or workers. */
PAWL_CHECK pawl_code pw_audit_parts(pw_audit_look_at *look, pawl_error *err);
bool pw_audit_same(const pw_audit_finding *a, const pw_audit_finding *b);
/* As one of pawl_audit. */
pw_value pw_audit_described(const pw_audit_finding *finding, pw_arena *arena);

typedef struct pw_auditor pw_auditor;
/* 0: as above. */
PAWL_CHECK pawl_code pw_auditor_new(pw_auditor **out, pawl *p, uint64_t audit_ms, uint64_t overdue_ms, pawl_error *err);
PAWL_CHECK pawl_code pw_auditor_start(pw_auditor *auditor, pawl_error *err); /* its thread */
void pw_auditor_stop(pw_auditor *auditor); /* and waits. NULL, or not started: nothing */
void pw_auditor_free(pw_auditor *auditor); /* NULL is fine */
uint64_t pw_auditor_overdue_ms(const pw_auditor *auditor);
pw_background *pw_auditor_background(pw_auditor *auditor); /* NULL: not started */

/* How many findings the last round had that two rounds have seen, by whether they are warnings. For health and metrics. */
typedef struct pw_audit_counts {
    uint64_t errors, warnings;
} pw_audit_counts;
void pw_auditor_count(pw_auditor *auditor, pw_audit_counts *out);
/* Those of one instance, copied to the arena, as pawl_audit describes them; an empty array: none, or no auditor. */
pw_value pw_auditor_of(pw_auditor *auditor, pw_str instance, pw_arena *arena);
#endif
