/* mailbox.c - lists under one lock; taken all at once, so that a busy shard locks once for many. */
#include <errno.h>
#include <time.h>
#include "engine/mailbox.h"
#include "engine/committer.h"

uint64_t pw_monotonic_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct timespec pw_monotonic_timespec(uint64_t ns)
{
    return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000u),
                              .tv_nsec = (long)(ns % 1000000000u) };
}

pawl_code pw_condition_init(pthread_cond_t *cond, pawl_error *err)
{
    pthread_condattr_t attributes;
    int failed = pthread_condattr_init(&attributes);
    if (failed)
        return pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory");
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    failed = pthread_cond_init(cond, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return failed ? pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory") : PAWL_OK;
}

bool pw_condition_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline_ns)
{
    if (deadline_ns == UINT64_MAX) {
        (void)pthread_cond_wait(cond, lock);
        return true;
    }
    struct timespec deadline = pw_monotonic_timespec(deadline_ns);
    return pthread_cond_timedwait(cond, lock, &deadline) != ETIMEDOUT;
}

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
    (void)pthread_cond_destroy(&reply->cond);
    (void)pthread_mutex_destroy(&reply->lock);
}

void pw_reply_give(pw_reply *reply)
{
    (void)pthread_mutex_lock(&reply->lock);
    reply->given = true;
    (void)pthread_cond_signal(&reply->cond); /* under the lock: the owner may be gone after it */
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
    (void)pthread_cond_destroy(&box->filled);
    (void)pthread_mutex_destroy(&box->lock);
}

/* Appends under the lock, and wakes the shard. */
#define PUT(box, last, item)                                                                       \
    do {                                                                                           \
        (item)->next = NULL;                                                                       \
        (void)pthread_mutex_lock(&(box)->lock);                                                    \
        *(box)->last = (item);                                                                     \
        (box)->last = &(item)->next;                                                               \
        (void)pthread_cond_signal(&(box)->filled);                                                 \
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
        (void)pthread_cond_signal(&box->filled);
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

void pw_mailbox_commit(pw_mailbox *box, pw_commit *commit)
{
    PUT(box, last_commit, commit);
}

void pw_mailbox_signal(pw_mailbox *box, unsigned signal)
{
    (void)pthread_mutex_lock(&box->lock);
    box->mail.signals |= signal;
    (void)pthread_cond_signal(&box->filled);
    (void)pthread_mutex_unlock(&box->lock);
}

static bool is_empty(const pw_mail *mail)
{
    return !mail->commits && !mail->messages && !mail->calls && !mail->jobs && !mail->signals;
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
