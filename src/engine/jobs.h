/* jobs.h - work for programs outside: between the shards, which own the instances, and the board
 * (drivers/workers.h), where jobs and polls wait for each other. */
#ifndef PW_JOBS_H
#define PW_JOBS_H

#include "drivers/workers.h"
#include "engine/shard.h"

#define PW_JOB_LEASE_MS 60000u
#define PW_ATTEMPT_MS 300000u /* ActivityExecution */

typedef struct pw_jobs pw_jobs;

typedef struct pw_jobs_options { /* zero means default */
    uint64_t lease_ms;   /* of a poll that asks for none, and how long a job waits for its worker
                            after a recovery */
    uint64_t timeout_ms; /* of an attempt without its own */
} pw_jobs_options;

PAWL_CHECK pawl_code pw_jobs_new(pw_jobs **out, pawl *p, const pw_jobs_options *options,
                                 pawl_error *err);
/* Does what is due, and waits for what is next; false: stop. For the thread. */
bool pw_jobs_work(pw_jobs *jobs);
/* Nothing is handed out any more, and polls are told so. */
void pw_jobs_close(pw_jobs *jobs);
void pw_jobs_stop(pw_jobs *jobs);
void pw_jobs_free(pw_jobs *jobs); /* no poll is open. NULL is fine */
pw_board *pw_jobs_board(pw_jobs *jobs);
uint64_t pw_jobs_lease_ms(const pw_jobs *jobs);
uint64_t pw_jobs_timeout_ms(const pw_jobs *jobs);

/* ---- for the shards */

/* A ticket for an attempt; NULL: out of memory. */
pw_ticket *pw_jobs_ticket(pw_shard *shard, const pw_live *live, const pw_work *work);
/* What a committed step means for the board; part of pw_act(). */
void pw_jobs_act(pw_shard *shard, pw_live *live);
/* An attempt that the state wants, and that no function of this process is for. */
PAWL_CHECK pawl_code pw_jobs_hold(pw_shard *shard, const pw_live *live, const pw_work *work,
                                  pawl_error *err);
/* A function of this process is for it from now on. True: it is this process's now. *lost: somebody
 * else may be at it. False: a worker is. */
bool pw_jobs_release(pw_shard *shard, const pw_live *live, const pw_work *work, bool *lost);
/* Hands it out, or says why not. True: instead it is an event, to be decided: LOST, or a failure
 * (*timed_out). */
bool pw_jobs_serve(pw_shard *shard, pw_live *live, pw_ticket *ticket, bool *timed_out);
/* The error of an attempt whose time is over. */
pw_value pw_jobs_timeout(pw_arena *arena);

/* ---- polls.c */
void pw_poll_told(void *jobs, pw_poll *poll); /* the board's on_poll */
/* A job for people: as pawl_jobs gives it. */
pw_value pw_jobs_described(const pawl *p, const pw_ticket_row *row, pw_arena *arena);

/* ---- work.c */

/* What a token names. It is signed with the store's secret, and good as long as the store's
 * generation is. */
typedef struct pw_job_name {
    pw_str instance;
    uint64_t visit;
    uint32_t attempt;
} pw_job_name;
#define PW_JOB_TOKEN_SIZE 88
void pw_job_token(char out[PW_JOB_TOKEN_SIZE], const pawl *p, const pw_job_name *name);
/* Borrows from the token. PAWL_INVALID (token-not-valid). */
PAWL_CHECK pawl_code pw_job_token_read(pw_job_name *out, const pawl *p, const char *token,
                                       pawl_error *err);

#endif
