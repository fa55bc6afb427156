/* mailbox.c - lists under one lock; taken all at once, so that a busy shard locks once for many. */
#include "engine/mailbox.h"
#include "engine/committer.h"

/* ------------------------------------------------------------------ replies */

pawl_code pw_reply_init(pw_reply *reply, pawl_error *err)
{
    reply->given = false;
    int failed = pthread_mutex_init(&reply->lock, NULL);
    if (failed)
        return pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory");
    pawl_code code = pw_condition_init(&reply->cond, err);
    if (code != PAWL_OK)
        (void)pthread_mutex_destroy(&reply->lock);
    return code;
}

void pw_reply_done(pw_reply *reply)
{
    pw_condition_done(&reply->cond);
    (void)pthread_mutex_destroy(&reply->lock);
}

void pw_reply_give(pw_reply *reply)
{
    (void)pthread_mutex_lock(&reply->lock);
    reply->given = true;
    pw_condition_wake(&reply->cond); /* under the lock: the owner may be gone after it */
    (void)pthread_mutex_unlock(&reply->lock);
}

bool pw_reply_wait(pw_reply *reply, uint64_t deadline_ns)
{
    (void)pthread_mutex_lock(&reply->lock);
    while (!reply->given && pw_condition_wait(&reply->cond, &reply->lock, deadline_ns))
        ;
    bool given = reply->given;
    (void)pthread_mutex_unlock(&reply->lock);
    return given;
}

/* ------------------------------------------------------------------ the box */

static void forget(pw_mailbox *box)
{
    box->mail = (pw_mail){ 0 };
    box->last_commit = &box->mail.commits;
    box->last_message = &box->mail.messages;
    box->last_call = &box->mail.calls;
    box->last_job = &box->mail.jobs;
    box->last_ticket = &box->mail.tickets;
    box->outside = 0;
}

pawl_code pw_mailbox_init(pw_mailbox *box, pawl_error *err)
{
    int failed = pthread_mutex_init(&box->lock, NULL);
    if (failed)
        return pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory");
    pawl_code code = pw_condition_init(&box->filled, err);
    if (code != PAWL_OK)
        (void)pthread_mutex_destroy(&box->lock);
    forget(box);
    return code;
}

void pw_mailbox_done(pw_mailbox *box)
{
    pw_condition_done(&box->filled);
    (void)pthread_mutex_destroy(&box->lock);
}

/* Appends under the lock, and wakes the shard. */
#define PUT(box, last, item)                                                                       \
    do {                                                                                           \
        (item)->next = NULL;                                                                       \
        (void)pthread_mutex_lock(&(box)->lock);                                                    \
        *(box)->last = (item);                                                                     \
        (box)->last = &(item)->next;                                                               \
        pw_condition_wake(&(box)->filled);                                                 \
        (void)pthread_mutex_unlock(&(box)->lock);                                                  \
    } while (0)

bool pw_mailbox_command(pw_mailbox *box, pw_message *message)
{
    message->next = NULL;
    (void)pthread_mutex_lock(&box->lock);
    bool room = box->outside < PW_MAILBOX_MAX;
    if (room) {
        box->outside++;
        *box->last_message = message;
        box->last_message = &message->next;
        pw_condition_wake(&box->filled);
    }
    (void)pthread_mutex_unlock(&box->lock);
    return room;
}

void pw_mailbox_message(pw_mailbox *box, pw_message *message)
{
    PUT(box, last_message, message);
}

void pw_mailbox_call(pw_mailbox *box, pw_http_call *call)
{
    PUT(box, last_call, call);
}

void pw_mailbox_job(pw_mailbox *box, pw_job *job)
{
    PUT(box, last_job, job);
}

void pw_mailbox_ticket(pw_mailbox *box, pw_ticket *ticket)
{
    PUT(box, last_ticket, ticket);
}

void pw_mailbox_commit(pw_mailbox *box, pw_commit *commit)
{
    PUT(box, last_commit, commit);
}

void pw_mailbox_signal(pw_mailbox *box, unsigned signal)
{
    (void)pthread_mutex_lock(&box->lock);
    box->mail.signals |= signal;
    pw_condition_wake(&box->filled);
    (void)pthread_mutex_unlock(&box->lock);
}

static bool is_empty(const pw_mail *mail)
{
    return !mail->commits && !mail->messages && !mail->calls && !mail->jobs && !mail->tickets &&
           !mail->signals;
}

void pw_mailbox_take(pw_mailbox *box, pw_mail *out, uint64_t deadline_ns)
{
    (void)pthread_mutex_lock(&box->lock);
    while (deadline_ns != 0 && is_empty(&box->mail) &&
           pw_condition_wait(&box->filled, &box->lock, deadline_ns))
        ;
    *out = box->mail;
    forget(box);
    (void)pthread_mutex_unlock(&box->lock);
}
