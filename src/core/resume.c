/* resume.c - bookmarks by their keys: what a person, a program or an operator may answer.
 *
 * Three kinds of waits have a key that somebody may know: a user task, a timer (a `wait`, or the
 * delay before a retry), and a listen. Each is answered in its own way; what is common is that the
 * answer must fit what is asked for, is checked before anything changes, and is consumed in the
 * same step as its effect. */
#include "base/json.h"
#include "core/step.h"

pw_str pw_event_actor(pw_step *step)
{
    pw_str actor = step->event->actor;
    return actor.len ? pw_arena_str(step->arena, actor) : PW_LIT("system");
}

pw_str pw_event_digest(pw_step *step)
{
    pw_str text = pw_json_text(step->arena, step->event->payload, PW_JSON_CANONICAL);
    pw_digest digest = pw_digest_of(&text, 1);
    char hex[PW_DIGEST_HEX_SIZE];
    pw_digest_hex(hex, &digest);
    return pw_arena_str(step->arena, pw_str_of(hex));
}

pw_str pw_bookmark_key(pw_step *step, const pw_frame *frame)
{
    return pw_arena_printf(step->arena, PW_FMT "-%llu", PW_ARG(frame->task->name),
                           (unsigned long long)frame->visit);
}

void pw_bookmark_consume(pw_step *step, const pw_frame *frame)
{
    pw_bookmark_end *end = PW_PUSH(step, bookmark_ends, pw_bookmark_end);
    end->visit = frame->visit;
    end->key = frame->key;
    end->consumed = true;
    end->by = pw_event_actor(step);
    end->digest = pw_event_digest(step);
}

/* ------------------------------------------------------------------ which one */

static bool has_bookmark(const pw_frame *frame, pw_bookmark_kind *kind)
{
    bool listens = pw_listen_is_open(frame);
    *kind = frame->phase == PHASE_USER ? PW_BOOKMARK_USER
            : listens                  ? PW_BOOKMARK_MESSAGE
                                       : PW_BOOKMARK_TIMER;
    return listens || frame->phase == PHASE_USER || frame->phase == PHASE_TIMER ||
           (frame->phase == PHASE_RETRY && !pw_frame_tries_again(frame));
}

/* Nothing that it does can go on now. */
static pw_verdict is_asleep(pw_step *step)
{
    bool incident = step->state->incident;
    return pw_refused(step, PAWL_STATE, incident ? PAWL_REASON_OPEN_INCIDENT : PAWL_REASON_NONE,
                      incident ? "an incident of the instance is open; retry it first"
                               : "the instance is suspended; continue it first");
}

static bool fits(pw_str expected, pw_str is)
{
    return expected.len == 0 || pw_str_eq(expected, is);
}

/* The open one with this key that is of the task and kind expected; NULL, and *why. */
static pw_frame *find(pw_step *step, pw_bookmark_kind *kind, pw_verdict *why)
{
    const pw_event *event = step->event;
    const pw_search want = pw_search_key(event->key);
    pw_frame *root = step->state->root;
    *why = pw_refused(step, PAWL_NOT_FOUND, PAWL_REASON_NO_BOOKMARK,
                      "no open bookmark has the key '" PW_FMT "'", PW_ARG(event->key));
    for (pw_frame *frame = root; frame && !pw_is_over(step->state);
         frame = pw_step_walk(step, frame, root, want)) {
        if (!has_bookmark(frame, kind) || !pw_str_eq(frame->key, event->key) ||
            (event->visit && event->visit != frame->visit))
            continue;
        pw_str name = pw_str_of(pw_bookmark_kind_name(*kind));
        if (!fits(event->task, frame->task->pointer))
            *why =
                pw_refused(step, PAWL_CONFLICT, PAWL_REASON_WRONG_TASK,
                           "'" PW_FMT "' belongs to the task " PW_FMT ", not to " PW_FMT,
                           PW_ARG(event->key), PW_ARG(frame->task->pointer), PW_ARG(event->task));
        else if (!fits(event->bookmark, name))
            *why = pw_refused(step, PAWL_CONFLICT, PAWL_REASON_WRONG_KIND,
                              "'" PW_FMT "' is of the kind " PW_FMT ", not " PW_FMT,
                              PW_ARG(event->key), PW_ARG(name), PW_ARG(event->bookmark));
        else
            return frame;
    }
    return NULL;
}

/* ------------------------------------------------------------------ a timer is over */

static pw_verdict end_timer(pw_step *step, pw_frame *frame)
{
    const pw_event *event = step->event;
    if (!pw_is(event->payload, PW_NONE) && !pw_is(event->payload, PW_NULL))
        return pw_refused(step, PAWL_INVALID, PAWL_REASON_BAD_ANSWER,
                          "'" PW_FMT "' is a timer, which takes no data", PW_ARG(event->key));
    if (frame->task->kind == PW_TASK_SCHEDULE)
        return pw_refused(step, PAWL_STATE, PAWL_REASON_NONE,
                          "a schedule keeps to its times; start an instance instead");
    if (frame->phase == PHASE_RETRY && pw_is_asleep(step->state))
        return is_asleep(step);
    PW_RECORD(step, "bookmark.consumed", frame, { PW_LIT("key"), pw_string_ref(frame->key) },
              { PW_LIT("by"), pw_string_ref(pw_event_actor(step)) },
              { PW_LIT("dueAt"), pw_moment_value(step->arena, frame->due_ms) });
    pw_bookmark_consume(step, frame);
    frame->due_ms = PW_WAKE_NEVER;
    if (frame->phase == PHASE_RETRY)
        pw_task_retry(step, frame);
    else
        pw_call_settle(step, frame, frame->input, (pw_value){ 0 });
    return pw_done();
}

/* ------------------------------------------------------------------ a listen hears */

/* What a CloudEvent must have, and does not; NULL: nothing. */
static const char *missing(pw_value event)
{
    static const char *const needed[] = { "id", "source", "type" };
    for (size_t i = 0; i < PW_LENGTH(needed); i++)
        if (!pw_get_text(event, needed[i]).len)
            return needed[i];
    return NULL;
}

static pw_verdict tell(pw_step *step, pw_frame *frame)
{
    const pw_event *event = step->event;
    const char *absent = missing(event->payload);
    if (absent)
        return pw_refused(step, PAWL_INVALID, PAWL_REASON_BAD_ANSWER,
                          "'" PW_FMT "' takes a CloudEvent; '%s' is missing", PW_ARG(event->key),
                          absent);
    if (pw_is_asleep(step->state))
        return is_asleep(step);
    if (pw_schedule_is_deaf(frame))
        return pw_refused(step, PAWL_BUSY, PAWL_REASON_NONE, "what was started before still runs");
    pawl_code code = pw_listen_message(step, frame, 0, event->payload);
    if (code == PAWL_BUSY)
        return pw_refused(step, code, PAWL_REASON_NONE,
                          "the task is at work on a message that came before");
    if (code == PAWL_OK)
        return pw_done();
    return pw_refused(step, PAWL_INVALID, PAWL_REASON_BAD_ANSWER,
                      "'" PW_FMT "' does not listen for such an event; `pawl show` says for what",
                      PW_ARG(event->key));
}

/* ------------------------------------------------------------------ commands */

pw_verdict pw_resume(pw_step *step)
{
    pw_verdict why;
    pw_bookmark_kind kind;
    pw_frame *frame = find(step, &kind, &why);
    if (!frame)
        return why;
    if (kind == PW_BOOKMARK_USER)
        return pw_user_answer(step, frame);
    if (step->event->restricted)
        return pw_refused(step, PAWL_DENIED, PAWL_REASON_NOT_YOURS,
                          "'" PW_FMT "' is no user task; only an operator may answer it",
                          PW_ARG(step->event->key));
    return kind == PW_BOOKMARK_TIMER ? end_timer(step, frame) : tell(step, frame);
}

pw_verdict pw_bookmark_command(pw_step *step)
{
    pw_verdict why;
    pw_bookmark_kind kind;
    if (pw_is_over(step->state))
        return pw_has_ended(step);
    pw_frame *frame = find(step, &kind, &why);
    if (!frame)
        return why;
    if (kind != PW_BOOKMARK_USER)
        return pw_refused(step, PAWL_CONFLICT, PAWL_REASON_WRONG_KIND,
                          "'" PW_FMT "' is of the kind %s; this is for user tasks only",
                          PW_ARG(step->event->key), pw_bookmark_kind_name(kind));
    return pw_user_command(step, frame);
}
