/* names.c - how statuses, events, bookmarks and calls are called in stored rows, and which
 * status may follow which. The names are part of the stored data: never change one. */
#include "core/core.h"

/* ---- status
 *
 *             first step
 *  PENDING ---------------> any of those below: a step runs on to its durable boundary. One that is
 *                           to start later stays here until then, or is suspended meanwhile
 *
 *      .--- drive, result, timer ---.
 *      v                            |
 *  RUNNING <--------------------> WAITING       bookmark, timer or call in flight
 *      |                            |
 *      |-- suspend --> SUSPENDED <--|           back by continue, to what it was before
 *      |                    |       |
 *      |-- end ------> COMPLETED <--|
 *      |-- cancel ---> CANCELLED <--|           from SUSPENDED and FAULTED as well
 *      |-- error ----> FAULTED <----|           from SUSPENDED and COMPENSATING as well
 *      |                 |          |
 *      |   retry, edit --'--> on from there, to any of these; its fifth incident --> SUSPENDED
 *      |                 v          |
 *      '--------> COMPENSATING <----'           on fault, on cancel, on request; may be suspended
 *                        |                      and continued; RUNNING again after call: compensate
 *                        v
 *                  COMPENSATED
 *
 * A move is from one commit to the next, so a step may go through several: a suspended instance
 * that is continued and ends at once moves from SUSPENDED to COMPLETED, or, while it is compensated, to
 * COMPENSATED; one that has nothing to undo after all goes there from anywhere; one that goes back from COMPENSATING by a rewind may end at once. COMPLETED and CANCELLED are left
 * only by COMPENSATING or a rewind, COMPENSATED by a rewind. */
#define ANY_LIVING                                                                                 \
    (PW_BIT(PW_RUNNING) | PW_BIT(PW_WAITING) | PW_BIT(PW_SUSPENDED) | PW_BIT(PW_COMPENSATING))

/* Through COMPENSATING, or by a rewind, in one step. */
#define ENDED_OTHERWISE                                                                            \
    (PW_BIT(PW_COMPLETED) | PW_BIT(PW_FAULTED) | PW_BIT(PW_CANCELLED) | PW_BIT(PW_COMPENSATED))

/* clang-format off */
static const struct {
    const char *name;
    bool ended;
    unsigned next; /* bits of those that may follow; staying is always allowed while living */
} statuses[] = {
    [PW_PENDING]      = { "pending", false, PW_BIT(PW_PENDING) | ANY_LIVING | PW_BIT(PW_COMPLETED) | PW_BIT(PW_FAULTED) | PW_BIT(PW_CANCELLED) },
    [PW_RUNNING]      = { "running", false, ANY_LIVING | ENDED_OTHERWISE },
    [PW_WAITING]      = { "waiting", false, ANY_LIVING | ENDED_OTHERWISE },
    [PW_SUSPENDED]    = { "suspended", false, PW_BIT(PW_PENDING) | ANY_LIVING | ENDED_OTHERWISE },
    [PW_COMPENSATING] = { "compensating", false, ANY_LIVING | PW_BIT(PW_COMPLETED) | PW_BIT(PW_FAULTED) | PW_BIT(PW_COMPENSATED) },
    [PW_COMPLETED]    = { "completed", true, ANY_LIVING | ENDED_OTHERWISE },
    [PW_FAULTED]      = { "faulted", true, ANY_LIVING | ENDED_OTHERWISE },
    [PW_CANCELLED]    = { "cancelled", true, ANY_LIVING | ENDED_OTHERWISE },
    [PW_COMPENSATED]  = { "compensated", true, ANY_LIVING | ENDED_OTHERWISE },
};
/* clang-format on */
static_assert(PW_LENGTH(statuses) == PW_STATUS_COUNT, "each status has its row");

const char *pw_status_name(pw_status status)
{
    return (unsigned)status < PW_LENGTH(statuses) ? statuses[status].name : "unknown";
}

bool pw_status_parse(pw_status *out, pw_str name)
{
    for (unsigned i = 0; i < PW_LENGTH(statuses); i++) {
        if (pw_str_is(name, statuses[i].name)) {
            *out = (pw_status)i;
            return true;
        }
    }
    return false;
}

bool pw_status_ended(pw_status status)
{
    PW_ASSERT((unsigned)status < PW_LENGTH(statuses));
    return statuses[status].ended;
}

bool pw_status_may_move(pw_status from, pw_status to)
{
    PW_ASSERT((unsigned)from < PW_LENGTH(statuses));
    PW_ASSERT((unsigned)to < PW_LENGTH(statuses));
    return (statuses[from].next & PW_BIT((unsigned)to)) != 0;
}

/* ---- the others */

const char *pw_event_name(pw_event_kind kind)
{
    switch (kind) {
    case PW_EVENT_START:
        return "start";
    case PW_EVENT_DRIVE:
        return "drive";
    case PW_EVENT_TIMER:
        return "timer";
    case PW_EVENT_CALL_RESULT:
        return "call-result";
    case PW_EVENT_ACTIVITY_RESULT:
        return "activity-result";
    case PW_EVENT_ACTIVITY_LOST:
        return "activity-lost";
    case PW_EVENT_MESSAGE:
        return "message";
    case PW_EVENT_CHILD_ENDED:
        return "child-ended";
    case PW_EVENT_RESUME:
        return "resume";
    case PW_EVENT_CANCEL:
        return "cancel";
    case PW_EVENT_SUSPEND:
        return "suspend";
    case PW_EVENT_CONTINUE:
        return "continue";
    case PW_EVENT_CLAIM:
        return "claim";
    case PW_EVENT_RELEASE:
        return "release";
    case PW_EVENT_DELEGATE:
        return "delegate";
    case PW_EVENT_COMMENT:
        return "comment";
    case PW_EVENT_CALL_LOST:
        return "call-lost";
    case PW_EVENT_RETRY:
        return "retry";
    case PW_EVENT_FAIL:
        return "fail";
    case PW_EVENT_SKIP:
        return "skip";
    case PW_EVENT_GOTO:
        return "goto";
    case PW_EVENT_EDIT:
        return "edit";
    case PW_EVENT_COMPENSATE:
        return "compensate";
    case PW_EVENT_PLAN:
        return "plan";
    case PW_EVENT_REWIND:
        return "rewind";
    }
    return "unknown";
}

const char *pw_bookmark_kind_name(pw_bookmark_kind kind)
{
    switch (kind) {
    case PW_BOOKMARK_USER:
        return "user-action";
    case PW_BOOKMARK_TIMER:
        return "timer";
    case PW_BOOKMARK_MESSAGE:
        return "external-message";
    case PW_BOOKMARK_CHILD:
        return "child";
    }
    return "unknown";
}

const char *pw_call_state_name(pw_call_state state)
{
    switch (state) {
    case PW_CALL_PENDING:
        return "pending";
    case PW_CALL_COMPLETED:
        return "completed";
    case PW_CALL_FAILED:
        return "failed";
    case PW_CALL_TIMED_OUT:
        return "timed-out";
    case PW_CALL_ABANDONED:
        return "abandoned";
    case PW_CALL_UNKNOWN:
        return "unknown";
    }
    return "unknown";
}

const char *pw_undo_state_name(pw_undo_state state)
{
    static const char *const names[] = { "registered", "unknown", "running", "done", "failed", "skipped" };
    static_assert(PW_LENGTH(names) == PW_UNDO_STATE_COUNT, "each state has its name");
    return (unsigned)state < PW_LENGTH(names) ? names[state] : "unknown";
}

bool pw_undo_state_parse(pw_undo_state *out, pw_str name)
{
    for (unsigned i = 0; i < PW_UNDO_STATE_COUNT; i++) {
        if (pw_str_is(name, pw_undo_state_name((pw_undo_state)i))) {
            *out = (pw_undo_state)i;
            return true;
        }
    }
    return false;
}
