/* mailbox.h - what comes in for one shard: from callers, drivers and the committer.
 *
 * Everything that is put in brings its own place (a link inside itself), so that putting in cannot
 * fail: an intent is only started with the place for its answer already there. Only callers outside
 * can be told PAWL_BUSY. The lock is never held while calling out. */
#ifndef PW_MAILBOX_H
#define PW_MAILBOX_H

#include "engine/sync.h" /* first: base.h forbids names that <pthread.h> declares */
#include "drivers/activity.h"
#include "drivers/http.h"
#include "drivers/workers.h"

typedef struct pw_commit pw_commit;

typedef enum pw_message_kind {
    PW_MESSAGE_COMMAND,  /* pw_command: start, resume, cancel ... */
    PW_MESSAGE_WATCH,    /* pw_watch: say when the instance is where it should be */
    PW_MESSAGE_UNWATCH,  /* pw_watch: do not wait any longer */
    PW_MESSAGE_WATCHER,  /* pawl_watch: call back when the instance is where it should be */
    PW_MESSAGE_UNWATCHER, /* pawl_watch: do not */
    PW_MESSAGE_DELETED,  /* pw_deleted: the instance is not there any more */
    PW_MESSAGE_SLEEPERS, /* pw_sleepers: instances with a timer in the window */
    PW_MESSAGE_LOOK, /* pw_notice: look at the clock; what is due is under way then, or `more` of it waits for others */
    PW_MESSAGE_REGISTERED, /* pw_notice: a function was registered */
    PW_MESSAGE_LEASE,      /* pw_lease_notice: a partition is ours, or is not any more */
    PW_MESSAGE_ERRAND,     /* pw_errand: of the router, done; or deliveries have come */
} pw_message_kind;

typedef struct pw_message {
    struct pw_message *next;
    pw_message_kind kind;
} pw_message;

enum {
    PW_SIGNAL_CLOSE = 1,    /* finish what is uncommitted, then end */
    PW_SIGNAL_DEGRADED = 2, /* the store fails: nobody is to be kept waiting for it */
    PW_SIGNAL_CLOCK = 4,    /* the clock has moved */
    PW_SIGNAL_DISK = 8,     /* there is less room on the disk of the store, or more */
};

/* What was taken out; each list in order of arrival. */
typedef struct pw_mail {
    pw_commit *commits;
    pw_message *messages;
    pw_http_call *calls;
    pw_job *jobs;
    pw_ticket *tickets;
    unsigned signals;
} pw_mail;

#define PW_MAILBOX_MAX 10000u /* commands that wait; more are answered PAWL_BUSY */

typedef struct pw_mailbox {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    pw_mail mail;
    pw_commit **last_commit;
    pw_message **last_message;
    pw_http_call **last_call;
    pw_job **last_job;
    pw_ticket **last_ticket;
    uint32_t outside; /* commands that were put in and not taken out */
} pw_mailbox;

PAWL_CHECK pawl_code pw_mailbox_init(pw_mailbox *box, pawl_error *err);
void pw_mailbox_done(pw_mailbox *box);
/* False: full. */
PAWL_CHECK bool pw_mailbox_command(pw_mailbox *box, pw_message *message);
void pw_mailbox_message(pw_mailbox *box, pw_message *message);
void pw_mailbox_call(pw_mailbox *box, pw_http_call *call);
void pw_mailbox_job(pw_mailbox *box, pw_job *job);
void pw_mailbox_ticket(pw_mailbox *box, pw_ticket *ticket);
void pw_mailbox_commit(pw_mailbox *box, pw_commit *commit);
void pw_mailbox_signal(pw_mailbox *box, unsigned signal);
/* Takes everything; waits for something until deadline_ns (pw_monotonic_ns; UINT64_MAX: for ever,
 * 0: not). */
void pw_mailbox_take(pw_mailbox *box, pw_mail *out, uint64_t deadline_ns);

/* ---- waiting */

/* The place where one caller waits for one answer. */
typedef struct pw_reply {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool given;
} pw_reply;
PAWL_CHECK pawl_code pw_reply_init(pw_reply *reply, pawl_error *err);
void pw_reply_done(pw_reply *reply);
void pw_reply_give(pw_reply *reply); /* its owner may go away before this returns */
/* False: deadline_ns has passed. */
bool pw_reply_wait(pw_reply *reply, uint64_t deadline_ns);
#endif
