/* schedule.c - when the next one starts.
 *
 * A schedule is an instance of its own, with one task, SCHEDULE. It waits for a time, for messages,
 * or for the end of what it started, and starts instances by rows of the inbox: one step for each
 * time.
 *
 *     begin --> TIMER --due: one starts--> TIMER              every, cron: overlap allow
 *                  ^        '------------> CHILD --its end--.  after; overlap skip, wait
 *                  '----------------------------------------'
 *     begin --> LISTEN --enough: one starts--> LISTEN         on
 *
 * While what it started runs, `skip` and `wait` need no timer: at its end it is known which times
 * have passed. `on` goes on listening meanwhile: `skip` hears messages and drops them, `wait` lets
 * them wait.
 *
 * Times are computed from the beginning of the schedule (every) or from the calendar (cron), never
 * from when a step happened to run: so nothing drifts. Those that have passed since the last one
 * that was dealt with were missed, and `catchUp` says what becomes of them.
 *
 * After a thousand times the instance ends and hands over to a successor, so that no log grows
 * without end. What a schedule must know is its frame's input, and so is the successor's: see
 * `book`. Every wait is a visit of its own: what was sent to the one before does not reach the
 * next. */
#include "base/cron.h"
#include "core/step.h"

#define TIMES_MAX 1000u   /* in one instance */
#define CATCH_UP_MAX 100u /* instances started for times that were missed */
#define GRACE_MS 60000    /* what is late by no more than this was not missed */
#define COUNTED_MS                                                                                 \
    ((int64_t)31 * 24 * 60 * 60 * 1000) /* behind it missed times of cron are not counted */
#define MONTHS_MAX 120000u              /* a period of so many months ends behind the year 9999 */

typedef struct book {
    int64_t anchor; /* when the schedule began: `every` counts from here */
    int64_t last;   /* times until here are dealt with; after: when the last one ended */
    int64_t fired;  /* starts so far, by all instances of this schedule */
    int64_t at;     /* when the last one was started; -1: none */
    pw_str child;   /* LISTEN: what it started and still runs, if its end matters */
} book;

static const pw_schedule *schedule_of(const pw_frame *frame)
{
    return &frame->task->as.schedule;
}

static int64_t number(pw_value from, const char *name, int64_t otherwise)
{
    int64_t n;
    bool good = pw_integer(pw_get_lit(from, name), &n) && n >= 0 && n <= (int64_t)1 << 53;
    return good ? n : otherwise;
}

static book read_book(const pw_frame *frame)
{
    pw_value from = frame->input;
    book b = { .anchor = number(from, "anchor", frame->started_ms),
               .fired = number(from, "fired", 0),
               .at = number(from, "at", -1),
               .child = pw_get_text(from, "child") };
    b.last = number(from, "last", b.anchor);
    if (b.last < b.anchor)
        b.last = b.anchor;
    return b;
}

static pw_value book_value(pw_step *step, const book *b)
{
    pw_member members[] = { { PW_LIT("anchor"), pw_int(b->anchor) },
                            { PW_LIT("last"), pw_int(b->last) },
                            { PW_LIT("fired"), pw_int(b->fired) },
                            { PW_LIT("at"), b->at < 0 ? (pw_value){ 0 } : pw_int(b->at) },
                            { PW_LIT("child"), pw_str_value(b->child) } };
    return pw_object_of(step->arena, members, PW_LENGTH(members));
}

static bool tracks(const pw_schedule *schedule) /* the end of what it starts matters */
{
    return schedule->kind == PW_SCHEDULE_AFTER || schedule->overlap != PW_OVERLAP_ALLOW;
}

/* ------------------------------------------------------------------ times */

static int64_t time_number(const pw_schedule *schedule, int64_t anchor, uint64_t n)
{
    uint64_t ms, months = n * schedule->period.months;
    if (__builtin_mul_overflow(n, schedule->period.ms, &ms))
        ms = UINT64_MAX;
    pw_duration d = { months > MONTHS_MAX ? MONTHS_MAX : (uint32_t)months, ms };
    return pw_duration_after(anchor, d);
}

static int64_t every_behind(const pw_schedule *schedule, int64_t anchor, int64_t last)
{
    if (last < anchor)
        return time_number(schedule, anchor, 1);
    if (!schedule->period.months)
        return time_number(schedule, anchor, (uint64_t)(last - anchor) / schedule->period.ms + 1);
    uint64_t low = 1, high = MONTHS_MAX;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (time_number(schedule, anchor, middle) > last)
            high = middle;
        else
            low = middle + 1;
    }
    return time_number(schedule, anchor, low);
}

/* The first time behind `last`; INT64_MAX: none. */
static int64_t next_behind(const pw_schedule *schedule, int64_t anchor, int64_t last)
{
    int64_t next = INT64_MAX;
    if (schedule->kind == PW_SCHEDULE_CRON)
        next = pw_cron_next(schedule->cron, last);
    else if (schedule->kind == PW_SCHEDULE_EVERY)
        next = every_behind(schedule, anchor, last);
    else
        next = pw_duration_after(last, schedule->period);
    return next > last ? next : INT64_MAX;
}

/* The times behind book.last that have come. */
typedef struct times {
    int64_t count;            /* all of them */
    bool more;                /* and some that were not counted */
    int64_t at[CATCH_UP_MAX]; /* the last of them, a ring */
    size_t kept;              /* put into the ring so far */
} times;

static int64_t from_behind(const times *t, size_t back) /* 1: the last one */
{
    return t->at[(t->kept - back) % CATCH_UP_MAX];
}

static void collect(times *t, const pw_schedule *schedule, const book *b, int64_t now)
{
    int64_t from = b->last;
    *t = (times){ 0 };
    if (schedule->kind == PW_SCHEDULE_EVERY && !schedule->period.months && from >= b->anchor &&
        now > from) { /* those that do not fit into the ring are counted without being looked at */
        uint64_t period = schedule->period.ms, all = (uint64_t)(now - b->anchor) / period;
        uint64_t passed = all - (uint64_t)(from - b->anchor) / period;
        if (passed > CATCH_UP_MAX) {
            t->count = (int64_t)(passed - CATCH_UP_MAX);
            from = time_number(schedule, b->anchor, all - CATCH_UP_MAX);
        }
    } else if (now - from > COUNTED_MS &&
               next_behind(schedule, b->anchor, now - COUNTED_MS) <= now) {
        from = now - COUNTED_MS;
        t->more = true;
    }
    for (int64_t at = next_behind(schedule, b->anchor, from); at <= now;
         at = next_behind(schedule, b->anchor, at)) {
        t->at[t->kept++ % CATCH_UP_MAX] = at;
        t->count++;
    }
}

/* ------------------------------------------------------------------ waiting */

static pw_str id_of(pw_arena *arena, const pw_str *parts, size_t count)
{
    pw_digest digest = pw_digest_of(parts, count);
    char id[PW_ID_SIZE];
    pw_id_of_digest(id, &digest);
    return pw_arena_str(arena, pw_str_of(id));
}

/* The first one is that of no other; each one after it that of the one before. */
pw_str pw_schedule_id(pw_arena *arena, pw_str namespace_, pw_str name, pw_str version,
                      pw_str before)
{
    pw_str parts[] = { PW_LIT("schedule"), namespace_, name, version, before };
    return id_of(arena, parts, PW_LENGTH(parts));
}

static pw_str id_of_start(pw_step *step, int64_t number)
{
    pw_str parts[] = { PW_LIT("scheduled"), step->identity->instance,
                       pw_arena_printf(step->arena, "%lld", (long long)number) };
    return id_of(step->arena, parts, PW_LENGTH(parts));
}

static void push_start(pw_step *step, pw_str id, pw_value input, const pw_frame *waits,
                       bool schedule)
{
    const pw_program *p = step->program;
    pw_member members[] = {
        { PW_LIT("namespace"), pw_string_ref(p->namespace_) },
        { PW_LIT("name"), pw_string_ref(p->name) },
        { PW_LIT("version"), pw_string_ref(p->version) },
        { PW_LIT("parent"), pw_string_ref(step->identity->instance) },
        { PW_LIT("visit"), waits ? pw_int((int64_t)waits->visit) : (pw_value){ 0 } },
        { PW_LIT("schedule"), schedule ? pw_bool(true) : (pw_value){ 0 } },
        { PW_LIT("input"), input },
    };
    pw_child_message(step, id, PW_LIT("start"), "start",
                     pw_object_of(step->arena, members, PW_LENGTH(members)));
}

static void open_bookmark(pw_step *step, pw_frame *frame, pw_bookmark_kind kind, pw_str key)
{
    frame->key = key;
    pw_bookmark *bookmark = PW_PUSH(step, bookmarks, pw_bookmark);
    bookmark->kind = kind;
    bookmark->task = frame->task->pointer;
    bookmark->visit = frame->visit;
    bookmark->key = frame->key;
    bookmark->due_at = kind == PW_BOOKMARK_TIMER ? frame->due_ms : -1;
}

static void hand_over(pw_step *step, pw_frame *frame)
{
    const pw_program *p = step->program;
    pw_str next =
        pw_schedule_id(step->arena, p->namespace_, p->name, p->version, step->identity->instance);
    push_start(step, next, frame->input, NULL, true);
    PW_RECORD(step, "schedule.handed-over", frame, { PW_LIT("to"), pw_string_ref(next) });
    pw_flow_finish(step, frame, frame->input);
}

/* Waits for the next time or message, or for the end of `child`. */
static void go_on(pw_step *step, pw_frame *frame, const book *b, pw_str child)
{
    const pw_schedule *schedule = schedule_of(frame);
    book kept = *b;
    kept.child = schedule->kind == PW_SCHEDULE_ON ? child : (pw_str){ 0 };
    frame->input = book_value(step, &kept);
    frame->raw = (pw_value){ 0 };
    frame->due_ms = PW_WAKE_NEVER;
    if (frame->attempt >= TIMES_MAX && !child.len) {
        hand_over(step, frame);
        return;
    }
    frame->visit = ++step->state->visits;
    frame->phase = PHASE_BODY; /* it holds nothing */
    if (schedule->kind == PW_SCHEDULE_ON) {
        (void)pw_listen_open(step, frame, &schedule->on); /* else it has faulted */
    } else if (child.len) {
        frame->phase = PHASE_CHILD;
        open_bookmark(step, frame, PW_BOOKMARK_CHILD, child);
    } else {
        frame->phase = PHASE_TIMER;
        frame->due_ms = next_behind(schedule, b->anchor, b->last);
        open_bookmark(step, frame, PW_BOOKMARK_TIMER, PW_LIT("timer"));
    }
}

/* Gives the id of what it starts, if its end matters. */
static pw_str start_one(pw_step *step, pw_frame *frame, book *b, int64_t due, pw_value input)
{
    bool tracked = tracks(schedule_of(frame));
    b->fired++;
    b->at = step->event->now_ms;
    pw_str id = id_of_start(step, b->fired);
    push_start(step, id, input, tracked ? frame : NULL, false);
    PW_RECORD(step, "schedule.fired", frame, { PW_LIT("instance"), pw_string_ref(id) },
              { PW_LIT("number"), pw_int(b->fired) },
              { PW_LIT("dueAt"), due < 0 ? (pw_value){ 0 } : pw_moment_value(step->arena, due) });
    return tracked ? id : (pw_str){ 0 };
}

static void record_skipped(pw_step *step, pw_frame *frame, int64_t count, bool more,
                           const char *reason)
{
    if (count > 0 || more)
        PW_RECORD(step, "schedule.skipped", frame, { PW_LIT("count"), pw_int(count) },
                  { PW_LIT("more"), more ? pw_bool(true) : (pw_value){ 0 } },
                  { PW_LIT("reason"), pw_string_ref(pw_str_of(reason)) });
}

/* every, cron: starts what the times that have come ask for. */
static void come(pw_step *step, pw_frame *frame, book *b, pw_catch_up policy)
{
    const pw_schedule *schedule = schedule_of(frame);
    int64_t now = step->event->now_ms;
    pw_str child = { 0 };
    times t;
    collect(&t, schedule, b, now);
    size_t ring = t.kept < CATCH_UP_MAX ? t.kept : CATCH_UP_MAX, starts = t.kept ? 1 : 0;
    if (policy == PW_CATCH_UP_NONE && t.kept && now - from_behind(&t, 1) > GRACE_MS)
        starts = 0;
    if (policy == PW_CATCH_UP_ALL && !tracks(schedule))
        starts = ring;
    /* one after the other: those behind it come when it has ended */
    bool queue = policy == PW_CATCH_UP_ALL && schedule->overlap == PW_OVERLAP_WAIT;
    record_skipped(step, frame, t.count - (int64_t)(queue ? ring : starts), t.more, "missed");
    if (queue && ring) {
        b->last = from_behind(&t, ring);
        child = start_one(step, frame, b, b->last, pw_null());
    } else {
        for (size_t back = starts; back > 0; back--)
            child = start_one(step, frame, b, from_behind(&t, back), pw_null());
        b->last = now;
    }
    go_on(step, frame, b, child);
}

/* ------------------------------------------------------------------ what may happen */

void pw_schedule_begin(pw_step *step, pw_frame *frame)
{
    book b = read_book(frame);
    pw_value heard = pw_get_lit(frame->input, "heard");
    pw_str child = { 0 };
    b.child = child;
    PW_RECORD(step, "task.started", frame, { PW_LIT("schedule"), frame->task->definition });
    if (pw_is(heard, PW_ARRAY)) /* by the one before, as its last */
        child = start_one(step, frame, &b, -1, heard);
    go_on(step, frame, &b, child);
}

void pw_schedule_due(pw_step *step, pw_frame *frame)
{
    const pw_schedule *schedule = schedule_of(frame);
    book b = read_book(frame);
    frame->attempt++;
    if (schedule->kind == PW_SCHEDULE_AFTER)
        go_on(step, frame, &b,
              start_one(step, frame, &b, next_behind(schedule, b.anchor, b.last), pw_null()));
    else
        come(step, frame, &b, schedule->catch_up);
}

void pw_schedule_heard(pw_step *step, pw_frame *frame, pw_value messages)
{
    book b = read_book(frame);
    pw_str child = b.child;
    frame->attempt++;
    if (child.len) {
        record_skipped(step, frame, 1, false, "the one before still runs");
    } else if (frame->attempt >
               TIMES_MAX) { /* the end of what it starts would come too late here */
        frame->input = pw_with(step->arena, book_value(step, &b), PW_LIT("heard"), messages);
        hand_over(step, frame);
        return;
    } else {
        child = start_one(step, frame, &b, -1, messages);
    }
    go_on(step, frame, &b, child);
}

bool pw_schedule_is_deaf(const pw_frame *frame)
{
    return frame->task && frame->task->kind == PW_TASK_SCHEDULE &&
           schedule_of(frame)->overlap == PW_OVERLAP_WAIT && read_book(frame).child.len > 0;
}

bool pw_schedule_waits_for(const pw_frame *frame, pw_str child)
{
    return frame && frame->task && frame->task->kind == PW_TASK_SCHEDULE && child.len > 0 &&
           ((frame->phase == PHASE_CHILD && pw_str_eq(frame->key, child)) ||
            (frame->phase == PHASE_LISTEN && pw_str_eq(read_book(frame).child, child)));
}

void pw_schedule_child_ended(pw_step *step, pw_frame *frame, pw_value error)
{
    const pw_schedule *schedule = schedule_of(frame);
    int64_t now = step->event->now_ms;
    book b = read_book(frame);
    step->took_error = pw_copy(step->arena, error);
    PW_RECORD(step, "schedule.child-ended", frame,
              { PW_LIT("instance"), pw_string(step->arena, step->event->key) },
              { PW_LIT("error"), step->took_error });
    if (frame->phase == PHASE_LISTEN) { /* it goes on listening */
        b.child = (pw_str){ 0 };
        frame->input = book_value(step, &b);
        return;
    }
    pw_bookmark_end *end = PW_PUSH(step, bookmark_ends, pw_bookmark_end);
    end->visit = frame->visit;
    end->key = frame->key;
    end->consumed = true;
    if (schedule->kind == PW_SCHEDULE_AFTER) {
        b.last = now;
    } else if (schedule->overlap == PW_OVERLAP_SKIP) {
        times t;
        collect(&t, schedule, &b, now);
        record_skipped(step, frame, t.count, t.more, "the one before still ran");
        b.last = now;
    } else if (step->state->status != PW_SUSPENDED &&
               next_behind(schedule, b.anchor, b.last) <= now) {
        frame->attempt++;
        come(step, frame, &b,
             schedule->catch_up == PW_CATCH_UP_ALL ? PW_CATCH_UP_ALL : PW_CATCH_UP_ONE);
        return;
    }
    go_on(step, frame, &b, (pw_str){ 0 });
}

pw_value pw_schedule_described(const pw_frame *frame, pw_arena *arena)
{
    book b = read_book(frame);
    pw_str child = frame->phase == PHASE_CHILD ? frame->key : b.child;
    bool timed = frame->phase == PHASE_TIMER && frame->due_ms != INT64_MAX;
    pw_member members[] = {
        { PW_LIT("written"), frame->task->definition },
        { PW_LIT("fired"), pw_int(b.fired) },
        { PW_LIT("last"), b.at < 0 ? (pw_value){ 0 } : pw_moment_value(arena, b.at) },
        { PW_LIT("next"), timed ? pw_moment_value(arena, frame->due_ms) : (pw_value){ 0 } },
        { PW_LIT("runs"), pw_str_value(child) },
    };
    return pw_object_of(arena, members, PW_LENGTH(members));
}
