/* cause.c - what a step was decided from, as its row keeps it: event to text, and back.
 *
 * Most of an event is told by the entries of its step: a task that has completed says which, and with what. So the
 * entries are read first, as somebody would who has only them (guess); the cause has the members that differ from
 * that, and of most steps there are none. Both directions guess alike, which is all that there is to be right about.
 *
 * An answer of a service is kept as what was made of it, its output or its problem: its bytes are none of the
 * log's. Who may have done something is not kept: it was allowed. */
#include "core/step.h"
#include "base/json.h"

/* ------------------------------------------------------------------ what the entries tell */

static uint64_t natural(pw_value from, const char *name, uint64_t absent)
{
    int64_t n;
    return pw_integer(pw_get_lit(from, name), &n) && n >= 0 ? (uint64_t)n : absent;
}

/* What an entry says of an attempt: every result is read so, so each member is looked at once. */
typedef struct told {
    pw_str type;
    pw_value visit, attempt, output, error;
} told;

static told read_entry(pw_value entry)
{
    told t = { 0 };
    const pw_member *members = pw_is(entry, PW_OBJECT) ? pw_members(entry) : NULL;
    for (uint32_t i = 0; members && i < entry.count; i++) {
        const pw_str key = members[i].key;
        if (key.len == 4 && pw_str_is(key, "type"))
            t.type = pw_text(members[i].value);
        else if (key.len == 5 && pw_str_is(key, "visit"))
            t.visit = members[i].value;
        else if (key.len == 5 && pw_str_is(key, "error"))
            t.error = members[i].value;
        else if (key.len == 6 && pw_str_is(key, "output"))
            t.output = members[i].value;
        else if (key.len == 7 && pw_str_is(key, "attempt"))
            t.attempt = members[i].value;
    }
    return t;
}

static uint64_t natural_of(pw_value v, uint64_t absent)
{
    int64_t n;
    return pw_integer(v, &n) && n >= 0 ? (uint64_t)n : absent;
}

/* Of a task that has ended well, as most have: its first entry has it all. Of others, what the entries say of this
 * visit before they come to another: its output, or its error. */
static void guess_result(pw_event *event, const pw_value *entries, size_t count)
{
    pw_value first = entries[0];
    told of = read_entry(first);
    bool call = pw_str_is(of.type, "call.late"), late = call || pw_str_is(of.type, "child.late");
    event->visit = natural_of(of.visit, 0);
    event->attempt = (uint32_t)natural_of(of.attempt, 1);
    event->payload = late ? (pw_value){ 0 } : of.output;
    event->error = of.error;
    if (!late && pw_str_is(of.type, "job.answered"))
        event->key = pw_get_text(first, "digest");
    else if (late && !call)
        event->key = pw_get_text(first, "child");
    else if (!late && pw_str_is(of.type, "schedule.child-ended"))
        event->key = pw_get_text(first, "instance");
    for (size_t i = 1; i < count && !late && pw_is(event->payload, PW_NONE) && pw_is(event->error, PW_NONE); i++) {
        told more = read_entry(entries[i]);
        if (natural_of(more.visit, 0) != event->visit)
            break;
        event->payload = more.output;
        event->error = more.error;
    }
    if (!pw_is(event->error, PW_NONE))
        event->payload = (pw_value){ 0 };
    if (call) {
        event->call.status = (int32_t)natural(first, "status", 0);
        event->call.error = pw_text(event->error);
        event->error = (pw_value){ 0 };
    }
}

static pw_value first_of(pw_value entry, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pw_value v = pw_get_lit(entry, names[i]);
        if (!pw_is(v, PW_NONE))
            return v;
    }
    return (pw_value){ 0 };
}

static void guess_command(pw_event *event, pw_value first)
{
    static const char *const data[] = { "data", "event", "input", "output", "patch" };
    event->key = pw_get_text(first, "key");
    event->reason = pw_get_text(first, event->kind == PW_EVENT_COMMENT ? "text" : "reason");
    *(event->kind == PW_EVENT_GOTO ? &event->task : &event->to) = pw_get_text(first, "to");
    event->payload = first_of(first, data, PW_LENGTH(data));
    event->to_step = natural(first, "step", 0);
    event->visit = natural(first, "before", 0);
    event->confirmed = pw_truthy(pw_get_lit(first, "confirmed"));
}

/* As somebody takes it to have been who knows the kind, the actor and the time of the event and the entries. */
static void guess(pw_event *event, const pw_value *entries, size_t count)
{
    pw_value first = count ? entries[0] : (pw_value){ 0 };
    event->until_ms = -1;
    if (count == 0)
        return;
    switch (event->kind) {
    case PW_EVENT_START:
        event->payload = pw_get_lit(first, "input");
        event->parent = pw_get_text(first, "parent");
        event->key = pw_get_text(first, "from");
        event->to_step = natural(first, "step", 0);
        event->visit = natural(first, "before", 0);
        if (event->key.len) /* the input of the instance is that of the other */
            event->payload = pw_get_lit(first, "taskInput");
        return;
    case PW_EVENT_CALL_RESULT:
    case PW_EVENT_CALL_LOST:
    case PW_EVENT_ACTIVITY_RESULT:
    case PW_EVENT_ACTIVITY_LOST:
    case PW_EVENT_CHILD_ENDED:
        guess_result(event, entries, count);
        return;
    case PW_EVENT_MESSAGE:
        event->visit = natural(first, "visit", 0);
        event->number = natural(first, "number", 0);
        event->payload = pw_get_lit(first, "event");
        return;
    case PW_EVENT_PLAN:
        event->visit = natural(first, "visit", 0);
        return;
    case PW_EVENT_DRIVE:
    case PW_EVENT_TIMER:
        return;
    case PW_EVENT_RESUME:
    case PW_EVENT_CANCEL:
    case PW_EVENT_SUSPEND:
    case PW_EVENT_CONTINUE:
    case PW_EVENT_CLAIM:
    case PW_EVENT_RELEASE:
    case PW_EVENT_DELEGATE:
    case PW_EVENT_COMMENT:
    case PW_EVENT_RETRY:
    case PW_EVENT_FAIL:
    case PW_EVENT_SKIP:
    case PW_EVENT_GOTO:
    case PW_EVENT_EDIT:
    case PW_EVENT_COMPENSATE:
    case PW_EVENT_REWIND:
        guess_command(event, first);
        return;
    }
}

/* ------------------------------------------------------------------ writing */

/* The very same value, without a look into it. */
static bool is_same(pw_value a, pw_value b)
{
    return a.type == b.type && a.form == b.form && a.count == b.count && a.as.integer == b.as.integer;
}

static bool reads_the_same(pw_step *step, pw_value a, pw_value b)
{
    if (pw_is(a, PW_NONE) || pw_is(b, PW_NONE))
        return pw_is(a, PW_NONE) && pw_is(b, PW_NONE);
    return pw_str_eq(pw_json_text(step->arena, a, PW_JSON_COMPACT), pw_json_text(step->arena, b, PW_JSON_COMPACT));
}

typedef struct writer {
    pw_step *step;
    pw_object_builder to;
} writer;

static void put(writer *w, const char *name, pw_value value)
{
    pw_object_add(&w->to, pw_str_of(name), value);
}

static void put_int(writer *w, const char *name, int64_t value, int64_t guessed)
{
    if (value != guessed)
        put(w, name, pw_int(value));
}

static void put_text(writer *w, const char *name, pw_str text, pw_str guessed)
{
    if (!pw_str_eq(text, guessed))
        put(w, name, pw_string(w->step->arena, text));
}

/* What was taken of the event. */
static void put_taken(writer *w, const char *name, pw_value taken, pw_value guessed)
{
    if (!pw_is(taken, PW_NONE) && !is_same(taken, guessed))
        put(w, name, taken);
}

static void put_data(writer *w, const char *name, pw_value data, pw_value guessed)
{
    if (pw_is(data, PW_NONE))
        put_int(w, "no", !pw_is(guessed, PW_NONE), 0);
    else if (!reads_the_same(w->step, data, guessed))
        put(w, name, pw_copy(w->step->arena, data));
}

/* The state as it was then: its log may be gone when this one is replayed. */
static void put_rewound(writer *w, const pw_event *event)
{
    const pw_state_text *saved = w->step->rewound;
    if (!saved)
        return;
    put(w, "st", pw_string_ref(saved->text));
    if (saved->branches.len)
        put(w, "br", pw_string_ref(saved->branches));
    put(w, "at", pw_int(event->rewound_ms));
}

static void put_start(writer *w, const pw_event *event, const pw_event *guessed)
{
    put_taken(w, "p", w->step->took, guessed->payload);
    put_text(w, "pa", event->parent, guessed->parent);
    put_int(w, "pv", event->parent.len ? (int64_t)event->parent_visit : 0, 0);
    put_int(w, "d", event->depth, 0);
    put_int(w, "sc", event->schedule, 0);
    put_int(w, "sa", event->start_at_ms > event->now_ms ? event->start_at_ms : 0, 0);
    put_rewound(w, event);
}

static void put_result(writer *w, const pw_event *event, const pw_event *guessed)
{
    const pw_call_result *call = &event->call;
    put_int(w, "v", (int64_t)event->visit, (int64_t)guessed->visit);
    bool failed = !pw_is(w->step->took_error, PW_NONE), took = failed || !pw_is(w->step->took, PW_NONE);
    bool child = event->kind == PW_EVENT_CHILD_ENDED;
    put_int(w, "a", child ? 0 : event->attempt, child ? 0 : guessed->attempt);
    if (event->kind == PW_EVENT_ACTIVITY_RESULT || (child && !took)) /* else the task that waits for it names the child */
        put_text(w, "k", event->key, guessed->key);
    if (failed)
        put_taken(w, "e", w->step->took_error, guessed->error);
    else
        put_taken(w, "p", w->step->took, guessed->payload);
    put_int(w, "r", event->kind == PW_EVENT_ACTIVITY_RESULT && failed ? (int64_t)event->retry : 0, 0);
    if (event->kind != PW_EVENT_CALL_RESULT)
        return;
    if (took && !failed) /* no more of it was looked at */
        return;
    put_int(w, "rs", call->resent, 0);
    put_int(w, "s", call->status, guessed->call.status);
    if (call->answered)
        return;
    put_int(w, "c", 1 + (int64_t)(call->timed_out ? PW_CLASS_TIMEOUT : call->class_), 0);
    put_int(w, "un", call->unsent, 0);
}

static void put_command(writer *w, const pw_event *event, const pw_event *guessed)
{
    put_text(w, "k", event->key, guessed->key);
    put_text(w, "w", event->reason, guessed->reason);
    put_text(w, "to", event->to, guessed->to);
    put_int(w, "u", event->kind == PW_EVENT_CLAIM ? event->until_ms : -1, -1);
    if (event->kind != PW_EVENT_RESUME) /* there it says what was expected */
        put_text(w, "t", event->task, guessed->task);
    if (event->kind == PW_EVENT_COMPENSATE || event->kind == PW_EVENT_CANCEL) {
        put_text(w, "pa", event->parent, (pw_str){ 0 });
        put_int(w, "pv", event->parent.len ? (int64_t)event->parent_visit : 0, 0);
    }
    put_int(w, "v", (int64_t)event->visit, (int64_t)guessed->visit);
    put_rewound(w, event);
    put_int(w, "cf", event->confirmed, guessed->confirmed);
    put_data(w, "p", event->payload, guessed->payload);
}

static pw_value json_of(pw_step *step, pw_str text)
{
    pw_value v = { 0 };
    return text.len && pw_json_parse(&v, text, NULL, step->arena, NULL) == PAWL_OK ? v : (pw_value){ 0 };
}

static void put_plan(writer *w, const pw_event *event)
{
    pw_arena *arena = w->step->arena;
    pw_array_builder rows = { .arena = arena };
    for (size_t i = 0; i < event->plan_count; i++) {
        const pw_undo_step *row = &event->plan[i];
        const pw_member members[] = {
            { PW_LIT("o"), pw_int((int64_t)row->ordinal) },
            { PW_LIT("t"), pw_string(arena, row->task) },
            { PW_LIT("v"), pw_int((int64_t)row->visit) },
            { PW_LIT("k"), pw_string(arena, row->key) },
            { PW_LIT("b"), row->branch.len ? pw_string(arena, row->branch) : (pw_value){ 0 } },
            { PW_LIT("a"), json_of(w->step, row->arguments) },
            { PW_LIT("e"), json_of(w->step, row->error) },
            { PW_LIT("c"), row->child.len ? pw_string(arena, row->child) : (pw_value){ 0 } },
            { PW_LIT("s"), pw_string_ref(pw_str_of(pw_undo_state_name(row->state))) },
        };
        pw_array_add(&rows, pw_object_of(arena, members, PW_LENGTH(members)));
    }
    put_int(w, "n", (int64_t)event->number, 0);
    put(w, "pl", pw_array_end(&rows));
    put_int(w, "pe", event->plan_ends, 0);
}

/* Where the setting was asked what becomes of a call whose outcome nobody knows. */
static pw_on_unknown unknown_by_setting(const pw_step *step)
{
    static const unsigned never = PW_BIT(PW_EVENT_START) | PW_BIT(PW_EVENT_DRIVE) | PW_BIT(PW_EVENT_TIMER) |
                                  PW_BIT(PW_EVENT_ACTIVITY_RESULT) | PW_BIT(PW_EVENT_ACTIVITY_LOST) |
                                  PW_BIT(PW_EVENT_MESSAGE) | PW_BIT(PW_EVENT_CHILD_ENDED);
    const pw_event *event = step->event;
    if (never & PW_BIT(event->kind) || (event->kind == PW_EVENT_CALL_RESULT && event->call.answered))
        return PW_ON_UNKNOWN_DEFAULT;
    return step->settings->on_unknown;
}

pw_value pw_cause_of(pw_step *step, pw_value entries)
{
    const pw_event *event = step->event;
    writer w = { step, { .arena = step->arena } };
    pw_event guessed = { .kind = event->kind };
    guess(&guessed, entries.as.items, entries.count);
    if (pw_str_is(event->actor, "system")) /* the row has this name for nobody */
        put(&w, "by", pw_string_ref(PW_LIT("system")));
    switch (event->kind) {
    case PW_EVENT_START:
        put_start(&w, event, &guessed);
        break;
    case PW_EVENT_CALL_RESULT:
    case PW_EVENT_CALL_LOST:
    case PW_EVENT_ACTIVITY_RESULT:
    case PW_EVENT_ACTIVITY_LOST:
    case PW_EVENT_CHILD_ENDED:
        put_result(&w, event, &guessed);
        break;
    case PW_EVENT_MESSAGE:
        put_int(&w, "v", (int64_t)event->visit, (int64_t)guessed.visit);
        put_int(&w, "n", (int64_t)event->number, (int64_t)guessed.number);
        put_taken(&w, "p", step->took, guessed.payload);
        break;
    case PW_EVENT_DRIVE:
    case PW_EVENT_TIMER:
        break;
    case PW_EVENT_PLAN:
        put_plan(&w, event);
        break;
    case PW_EVENT_RESUME:
    case PW_EVENT_CANCEL:
    case PW_EVENT_SUSPEND:
    case PW_EVENT_CONTINUE:
    case PW_EVENT_CLAIM:
    case PW_EVENT_RELEASE:
    case PW_EVENT_DELEGATE:
    case PW_EVENT_COMMENT:
    case PW_EVENT_RETRY:
    case PW_EVENT_FAIL:
    case PW_EVENT_SKIP:
    case PW_EVENT_GOTO:
    case PW_EVENT_EDIT:
    case PW_EVENT_COMPENSATE:
    case PW_EVENT_REWIND:
        put_command(&w, event, &guessed);
        break;
    }
    put_int(&w, "ou", unknown_by_setting(step), PW_ON_UNKNOWN_DEFAULT);
    if (step->cut)
        put(&w, "b", pw_int(step->begun));
    return w.to.count ? pw_object_end(&w.to) : (pw_value){ 0 };
}

/* ------------------------------------------------------------------ reading */

static void take_int(pw_value from, const char *name, int64_t *to)
{
    int64_t n;
    if (pw_integer(pw_get_lit(from, name), &n))
        *to = n;
}

static void take_natural(pw_value from, const char *name, uint64_t *to)
{
    *to = natural(from, name, *to);
}

static void take_text(pw_value from, const char *name, pw_str *to)
{
    pw_value v = pw_get_lit(from, name);
    if (pw_is(v, PW_STRING))
        *to = pw_text(v);
}

static void take(pw_value from, const char *name, pw_value *to)
{
    pw_value v = pw_get_lit(from, name);
    if (!pw_is(v, PW_NONE))
        *to = v;
}

static bool is_for_a_bookmark(pw_event_kind kind)
{
    return kind == PW_EVENT_RESUME || kind == PW_EVENT_CLAIM || kind == PW_EVENT_RELEASE ||
           kind == PW_EVENT_DELEGATE || kind == PW_EVENT_COMMENT;
}

static pw_str text_of(pw_arena *arena, pw_value v)
{
    return pw_is(v, PW_NONE) ? (pw_str){ 0 } : pw_json_text(arena, v, PW_JSON_COMPACT);
}

static bool take_plan(pw_value cause, pw_event *event, pw_arena *arena)
{
    pw_value rows = pw_get_lit(cause, "pl");
    size_t count = pw_is(rows, PW_ARRAY) ? rows.count : 0;
    pw_undo_step *plan = PW_NEW_ARRAY(arena, pw_undo_step, count + 1);
    if (!plan)
        return false;
    for (size_t i = 0; i < count; i++) {
        pw_value row = pw_item(rows, i);
        plan[i] = (pw_undo_step){ .ordinal = natural(row, "o", 0),
                                  .task = pw_get_text(row, "t"),
                                  .visit = natural(row, "v", 0),
                                  .key = pw_get_text(row, "k"),
                                  .branch = pw_get_text(row, "b"),
                                  .arguments = text_of(arena, pw_get_lit(row, "a")),
                                  .error = text_of(arena, pw_get_lit(row, "e")),
                                  .child = pw_get_text(row, "c") };
        if (!pw_undo_state_parse(&plan[i].state, pw_get_text(row, "s")))
            return false;
    }
    event->plan = plan;
    event->plan_count = count;
    event->plan_ends = natural(cause, "pe", 0) != 0;
    return true;
}

static void take_call(pw_value cause, pw_event *event)
{
    uint64_t status = (uint64_t)event->call.status, class_ = 0, unsent = 0, resent = 0;
    take_natural(cause, "s", &status);
    take_natural(cause, "c", &class_);
    take_natural(cause, "un", &unsent);
    take_natural(cause, "rs", &resent);
    event->call.status = (int32_t)status;
    event->call.answered = class_ == 0;
    event->call.class_ = class_ ? (pw_error_class)(class_ - 1) : PW_CLASS_OTHER;
    event->call.timed_out = class_ == 1 + (uint64_t)PW_CLASS_TIMEOUT;
    event->call.unsent = unsent != 0;
    event->call.resent = resent != 0;
}

bool pw_cause_read(pw_event *event, pw_value cause, pw_value entries, pw_arena *arena)
{
    uint64_t depth = 0, attempt, schedule = 0, retry = 0, confirmed;
    guess(event, entries.as.items, pw_is(entries, PW_ARRAY) ? entries.count : 0);
    attempt = event->attempt;
    confirmed = event->confirmed;
    take_text(cause, "by", &event->actor);
    take_text(cause, "k", &event->key);
    take_text(cause, "w", &event->reason);
    take_text(cause, "to", &event->to);
    take_text(cause, "t", &event->task);
    take_text(cause, "pa", &event->parent);
    take_natural(cause, "pv", &event->parent_visit);
    take_natural(cause, "d", &depth);
    take_natural(cause, "sc", &schedule);
    take_natural(cause, "v", &event->visit);
    take_natural(cause, "a", &attempt);
    take_natural(cause, "n", &event->number);
    take_natural(cause, "r", &retry);
    take_natural(cause, "cf", &confirmed);
    take_int(cause, "sa", &event->start_at_ms);
    take_int(cause, "u", &event->until_ms);
    take_int(cause, "at", &event->rewound_ms);
    take(cause, "e", &event->error);
    take(cause, "p", &event->payload);
    if (!pw_is(pw_get_lit(cause, "p"), PW_NONE))
        event->error = (pw_value){ 0 };
    if (!pw_is(pw_get_lit(cause, "no"), PW_NONE))
        event->payload = (pw_value){ 0 };
    if (event->kind == PW_EVENT_CALL_RESULT)
        take_call(cause, event);
    event->depth = (uint32_t)depth;
    event->schedule = schedule != 0;
    event->attempt = (uint32_t)attempt;
    event->retry = retry <= PW_RETRY_NO ? (pw_retry_said)retry : PW_RETRY_BY_CLASS;
    if (event->key.len && pw_is(pw_get_lit(cause, "v"), PW_NONE) && is_for_a_bookmark(event->kind))
        event->visit = natural(pw_item(entries, 0), "visit", 0); /* another open bookmark may have this key */
    event->confirmed = confirmed != 0;
    event->unheard = true; /* else it would have been refused */
    return event->kind != PW_EVENT_PLAN || take_plan(cause, event, arena);
}
