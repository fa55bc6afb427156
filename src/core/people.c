/* people.c - user tasks: what is asked of a person, who may answer, and what is told when it is
 * late.
 *
 * What is asked for is evaluated once, when the task begins. Who may do it: its assignee; or, where
 * nobody is assigned, its candidates; or anybody, where there are none of these either. An event
 * that is not restricted may do anything: its sender was checked, or is an operator. A claim keeps
 * the others out until it is over; only who is not restricted may answer in spite of it, and nobody
 * can claim in spite of it.
 *
 * The frame: `key` is the bookmark's; `due_ms` the next instant to tell of, and `at` how many were
 * told of (the first: it is due; the second: it is overdue); `args` an object, in which what is not
 * so is absent:
 *     as  who is assigned
 *     ca  candidates: {users, groups}
 *     by  who has claimed it
 *     un  until when; absent: until it is released
 *     pr  priority
 *     fs  the schema of the answer, if it was computed
 *     du  when it is due, od: when it is overdue, ti: the title, for those who are told */
#include "base/json.h"
#include "core/step.h"

#define OVERDUE_AFTER_MS ((uint64_t)24 * 60 * 60 * 1000)

static pw_value arg(const pw_frame *frame, const char *name)
{
    return pw_get_lit(frame->args, name);
}

static pw_str text_arg(const pw_frame *frame, const char *name)
{
    return pw_get_text(frame->args, name);
}

static void set_arg(pw_step *step, pw_frame *frame, const char *name, pw_value value)
{
    frame->args = pw_is(value, PW_NONE) ? pw_without(step->arena, frame->args, pw_str_of(name))
                                        : pw_with(step->arena, frame->args, pw_str_of(name), value);
}

static int64_t instant_arg(const pw_frame *frame, const char *name)
{
    int64_t at;
    return pw_integer(arg(frame, name), &at) && at >= 0 ? at : PW_WAKE_NEVER;
}

static int32_t priority_of(const pw_frame *frame)
{
    int64_t priority;
    bool good =
        pw_integer(arg(frame, "pr"), &priority) && priority >= INT32_MIN && priority <= INT32_MAX;
    return good ? (int32_t)priority : 0;
}

static pw_value moment_or_none(pw_arena *arena, int64_t at)
{
    return at == PW_WAKE_NEVER ? (pw_value){ 0 } : pw_moment_value(arena, at);
}

/* ------------------------------------------------------------------ what is asked */

static pw_str as_text(pw_step *step, pw_value v)
{
    if (pw_is(v, PW_STRING))
        return pw_text(v);
    return pw_is(v, PW_NONE) || pw_is(v, PW_NULL) ? (pw_str){ 0 }
                                                  : pw_json_text(step->arena, v, PW_JSON_COMPACT);
}

static bool is_absent(pw_value v)
{
    return pw_is(v, PW_NONE) || pw_is(v, PW_NULL);
}

/* An instant, or a duration from now. False: step->thrown. */
static bool due_of(pw_step *step, pw_frame *frame, pw_value due, int64_t *out)
{
    *out = PW_WAKE_NEVER;
    if (is_absent(due))
        return true;
    pawl_error error;
    if (pw_is(due, PW_STRING) && pw_moment_parse(out, pw_text(due), NULL) == PAWL_OK)
        return true;
    pw_duration duration;
    if (pw_duration_of(&duration, due, &error) == PAWL_OK) {
        *out = pw_duration_after(step->event->now_ms, duration);
        return true;
    }
    step->thrown = pw_problem(step, frame, "validation", 400, "not a due date",
                              "'due' is neither an instant nor a duration: %s", error.message);
    return false;
}

static bool overdue_of(pw_step *step, pw_frame *frame, pw_value after, int64_t due, int64_t *out)
{
    pawl_error error;
    pw_duration duration = { .ms = OVERDUE_AFTER_MS };
    *out = PW_WAKE_NEVER;
    if (!is_absent(after) && pw_duration_of(&duration, after, &error) != PAWL_OK) {
        step->thrown = pw_problem(step, frame, "validation", 400, "not a duration",
                                  "'overdueAfter' is no duration: %s", error.message);
        return false;
    }
    if (due != PW_WAKE_NEVER)
        *out = pw_duration_after(due, duration);
    return true;
}

static bool is_list_of_names(pw_value names)
{
    if (!pw_is(names, PW_ARRAY))
        return is_absent(names);
    for (uint32_t i = 0; i < names.count; i++)
        if (!pw_text(pw_item(names, i)).len)
            return false;
    return true;
}

/* Who is let in must be clear: anything that is no list of names is refused. */
static bool candidates_of(pw_step *step, pw_frame *frame, pw_value candidates, pw_value *out)
{
    *out = (pw_value){ 0 };
    if (is_absent(candidates))
        return true;
    pw_value users = pw_get_lit(candidates, "users"), groups = pw_get_lit(candidates, "groups");
    if (pw_is(candidates, PW_OBJECT) && is_list_of_names(users) && is_list_of_names(groups)) {
        pw_member members[] = {
            { PW_LIT("users"), pw_is(users, PW_ARRAY) ? users : (pw_value){ 0 } },
            { PW_LIT("groups"), pw_is(groups, PW_ARRAY) ? groups : (pw_value){ 0 } },
        };
        *out = pw_object_of(step->arena, members, PW_LENGTH(members));
        return true;
    }
    step->thrown = pw_problem(step, frame, "validation", 400, "not candidates",
                              "'candidates' must be an object of 'users' and 'groups', which are "
                              "lists of names");
    return false;
}

static bool number_of(pw_step *step, pw_frame *frame, pw_value priority, int64_t *out)
{
    *out = 0;
    if (is_absent(priority) ||
        (pw_integer(priority, out) && *out >= INT32_MIN && *out <= INT32_MAX))
        return true;
    step->thrown = pw_problem(step, frame, "validation", 400, "not a priority",
                              "'priority' must be an integer of 32 bits");
    return false;
}

/* The schema of the answer, if the definition does not have it. */
static bool form_of(pw_step *step, pw_frame *frame, pw_value form, pw_value *out)
{
    *out = (pw_value){ 0 };
    pw_value schema = pw_get_lit(form, "schema");
    if (!pw_is(frame->task->as.user.form, PW_NONE) || is_absent(schema))
        return true;
    const pw_schema_settings settings = pw_expr_schema_settings(step->machine);
    pw_schema_problem problem;
    pawl_error err;
    pawl_code code = pw_schema_check(&problem, schema, &settings, step->arena, &err);
    *out = schema;
    if (code == PAWL_OK)
        return true;
    if (code != PAWL_INVALID)
        pw_step_abort(step, code, "out of memory");
    pw_str words = pw_schema_words(&problem, "it", step->arena);
    step->thrown = pw_problem(step, frame, "validation", 400, "'form.schema' is no JSON Schema",
                              PW_FMT, PW_ARG(words));
    return false;
}

static void open_bookmark(pw_step *step, const pw_frame *frame, pw_value with)
{
    pw_value candidates = arg(frame, "ca");
    int64_t due = instant_arg(frame, "du");
    pw_bookmark *bookmark = PW_PUSH(step, bookmarks, pw_bookmark);
    bookmark->kind = PW_BOOKMARK_USER;
    bookmark->task = frame->task->pointer;
    bookmark->visit = frame->visit;
    bookmark->key = frame->key;
    bookmark->assigned_to = text_arg(frame, "as");
    bookmark->candidates = as_text(step, candidates);
    bookmark->due_at = due == PW_WAKE_NEVER ? -1 : due;
    bookmark->priority = priority_of(frame);
    bookmark->payload = pw_json_text(step->arena, with, PW_JSON_COMPACT);
    PW_RECORD(step, "task.started", frame, { PW_LIT("key"), pw_string_ref(frame->key) },
              { PW_LIT("assignedTo"), arg(frame, "as") }, { PW_LIT("candidates"), candidates },
              { PW_LIT("priority"), arg(frame, "pr") },
              { PW_LIT("dueAt"), moment_or_none(step->arena, due) });
}

bool pw_user_open(pw_step *step, pw_frame *frame)
{
    pw_value with, candidates, form;
    int64_t due, overdue, priority;
    if (!pw_task_with(step, frame, frame->task->as.user.with, &with))
        return false;
    if (pw_remedy_is(frame) && is_absent(pw_get_lit(with, "form"))) {
        const pw_member schema[] = { { PW_LIT("schema"), pw_remedy_form(step, frame->task) } };
        with = pw_with(step->arena, with, PW_LIT("form"), pw_object_of(step->arena, schema, 1));
    }
    if (!due_of(step, frame, pw_get_lit(with, "due"), &due) ||
        !overdue_of(step, frame, pw_get_lit(with, "overdueAfter"), due, &overdue) ||
        !candidates_of(step, frame, pw_get_lit(with, "candidates"), &candidates) ||
        !number_of(step, frame, pw_get_lit(with, "priority"), &priority) ||
        !form_of(step, frame, pw_get_lit(with, "form"), &form))
        return false;
    bool late = due != PW_WAKE_NEVER;
    pw_member members[] = {
        { PW_LIT("as"), pw_str_value(as_text(step, pw_get_lit(with, "assignedTo"))) },
        { PW_LIT("ca"), candidates },
        { PW_LIT("pr"), priority ? pw_int(priority) : (pw_value){ 0 } },
        { PW_LIT("fs"), form },
        { PW_LIT("du"), late ? pw_int(due) : (pw_value){ 0 } },
        { PW_LIT("od"), late ? pw_int(overdue) : (pw_value){ 0 } },
        { PW_LIT("ti"), late ? pw_get_lit(with, "title") : (pw_value){ 0 } },
    };
    frame->key = as_text(step, pw_get_lit(with, "key"));
    if (!frame->key.len)
        frame->key = pw_bookmark_key(step, frame);
    frame->phase = PHASE_USER;
    frame->args = pw_object_of(step->arena, members, PW_LENGTH(members));
    frame->due_ms = due;
    frame->at = 0;
    open_bookmark(step, frame, with);
    return true;
}

void pw_user_begin(pw_step *step, pw_frame *frame)
{
    if (!pw_user_open(step, frame))
        pw_flow_raise(step, frame, step->thrown);
}

/* ------------------------------------------------------------------ who may */

static bool is_among(pw_value names, pw_str name)
{
    for (uint32_t i = 0; pw_is(names, PW_ARRAY) && i < names.count; i++)
        if (name.len && pw_str_eq(pw_text(pw_item(names, i)), name))
            return true;
    return false;
}

static bool may(const pw_frame *frame, const pw_event *event)
{
    pw_str assigned = text_arg(frame, "as");
    pw_value candidates = arg(frame, "ca"), groups = pw_get_lit(candidates, "groups");
    if (!event->restricted)
        return true;
    if (assigned.len)
        return pw_str_eq(assigned, event->actor);
    if (pw_is(candidates, PW_NONE) || is_among(pw_get_lit(candidates, "users"), event->actor))
        return true;
    for (size_t i = 0; i < event->group_count; i++)
        if (is_among(groups, event->groups[i]))
            return true;
    return false;
}

static pw_verdict not_yours(pw_step *step, const pw_frame *frame)
{
    pw_str assigned = text_arg(frame, "as");
    return pw_refused(step, PAWL_DENIED, PAWL_REASON_NOT_YOURS,
                      "'" PW_FMT "' is assigned to %s" PW_FMT "%s, not to '" PW_FMT "'",
                      PW_ARG(frame->key), assigned.len ? "'" : "candidates", PW_ARG(assigned),
                      assigned.len ? "'" : "", PW_ARG(pw_event_actor(step)));
}

/* Empty: nobody, or it is over. */
static pw_str claimed_by(const pw_frame *frame, int64_t now_ms)
{
    int64_t until = instant_arg(frame, "un");
    return until == PW_WAKE_NEVER || until > now_ms ? text_arg(frame, "by") : (pw_str){ 0 };
}

static bool of_another(pw_step *step, pw_str claimer)
{
    return claimer.len && !pw_str_eq(claimer, pw_event_actor(step));
}

static pw_verdict is_claimed(pw_step *step, const pw_frame *frame, pw_str claimer)
{
    int64_t until = instant_arg(frame, "un");
    pw_str at = until == PW_WAKE_NEVER ? (pw_str){ 0 } : pw_moment_text(step->arena, until);
    return pw_refused(step, PAWL_CONFLICT, PAWL_REASON_CLAIMED,
                      "'" PW_FMT "' is claimed by '" PW_FMT "'%s" PW_FMT, PW_ARG(frame->key),
                      PW_ARG(claimer), at.len ? " until " : "", PW_ARG(at));
}

/* ------------------------------------------------------------------ claim, release, delegate,
 * comment */

static void changed(pw_step *step, const pw_frame *frame)
{
    int64_t until = instant_arg(frame, "un");
    pw_bookmark_change *change = PW_PUSH(step, bookmark_changes, pw_bookmark_change);
    change->visit = frame->visit;
    change->key = frame->key;
    change->assigned_to = text_arg(frame, "as");
    change->claimed_by = text_arg(frame, "by");
    change->claimed_until = until == PW_WAKE_NEVER ? -1 : until;
}

static void set_claim(pw_step *step, pw_frame *frame, pw_str by, int64_t until)
{
    set_arg(step, frame, "by", pw_str_value(by));
    set_arg(step, frame, "un", by.len && until >= 0 ? pw_int(until) : (pw_value){ 0 });
}

static pw_verdict claim(pw_step *step, pw_frame *frame)
{
    const pw_event *event = step->event;
    pw_str before = claimed_by(frame, event->now_ms), by = pw_event_actor(step);
    int64_t until = event->until_ms < 0 ? PW_WAKE_NEVER : event->until_ms;
    if (of_another(step, before))
        return is_claimed(step, frame, before);
    if (until != PW_WAKE_NEVER && until <= event->now_ms)
        return pw_refused(step, PAWL_INVALID, PAWL_REASON_NONE, "a claim must end in the future");
    if (before.len && instant_arg(frame, "un") == until)
        return pw_repeated("it was claimed before, until then");
    set_claim(step, frame, by, event->until_ms);
    changed(step, frame);
    PW_RECORD(step, "bookmark.claimed", frame, { PW_LIT("key"), pw_string_ref(frame->key) },
              { PW_LIT("by"), pw_string_ref(by) },
              { PW_LIT("until"), moment_or_none(step->arena, until) });
    return pw_done();
}

static pw_verdict release(pw_step *step, pw_frame *frame)
{
    pw_str before = claimed_by(frame, step->event->now_ms);
    if (!before.len)
        return pw_refused(step, PAWL_STATE, PAWL_REASON_NOT_CLAIMED,
                          "nobody has claimed '" PW_FMT "', or the claim is over",
                          PW_ARG(frame->key));
    if (step->event->restricted && of_another(step, before))
        return pw_refused(step, PAWL_DENIED, PAWL_REASON_NOT_YOURS,
                          "'" PW_FMT "' is claimed by '" PW_FMT "'", PW_ARG(frame->key),
                          PW_ARG(before));
    set_claim(step, frame, (pw_str){ 0 }, -1);
    changed(step, frame);
    PW_RECORD(step, "bookmark.released", frame, { PW_LIT("key"), pw_string_ref(frame->key) },
              { PW_LIT("by"), pw_string_ref(pw_event_actor(step)) },
              { PW_LIT("claimedBy"), pw_string_ref(before) });
    return pw_done();
}

static pw_verdict delegate(pw_step *step, pw_frame *frame)
{
    const pw_event *event = step->event;
    pw_str claimer = claimed_by(frame, event->now_ms), from = text_arg(frame, "as");
    if (!event->to.len)
        return pw_refused(step, PAWL_INVALID, PAWL_REASON_NONE,
                          "a task is delegated to somebody: 'to' is missing");
    if (event->restricted && of_another(step, claimer))
        return is_claimed(step, frame, claimer);
    if (pw_str_eq(from, event->to) && !text_arg(frame, "by").len)
        return pw_repeated("it is assigned to this person");
    set_claim(step, frame, (pw_str){ 0 }, -1);
    set_arg(step, frame, "as", pw_string(step->arena, event->to));
    changed(step, frame);
    PW_RECORD(step, "bookmark.delegated", frame, { PW_LIT("key"), pw_string_ref(frame->key) },
              { PW_LIT("by"), pw_string_ref(pw_event_actor(step)) },
              { PW_LIT("to"), arg(frame, "as") }, { PW_LIT("from"), pw_str_value(from) });
    return pw_done();
}

static pw_verdict comment(pw_step *step, pw_frame *frame)
{
    if (!step->event->reason.len)
        return pw_refused(step, PAWL_INVALID, PAWL_REASON_NONE, "the comment has no text");
    PW_RECORD(step, "bookmark.commented", frame, { PW_LIT("key"), pw_string_ref(frame->key) },
              { PW_LIT("by"), pw_string_ref(pw_event_actor(step)) },
              { PW_LIT("text"), pw_string(step->arena, step->event->reason) });
    return pw_done();
}

pw_verdict pw_user_command(pw_step *step, pw_frame *frame)
{
    pw_event_kind kind = step->event->kind;
    bool own = kind == PW_EVENT_RELEASE; /* of a claim, which may be older than who is assigned */
    if (!own && !may(frame, step->event))
        return not_yours(step, frame);
    return kind == PW_EVENT_CLAIM      ? claim(step, frame)
           : kind == PW_EVENT_RELEASE  ? release(step, frame)
           : kind == PW_EVENT_DELEGATE ? delegate(step, frame)
                                       : comment(step, frame);
}

/* ------------------------------------------------------------------ the answer */

/* What was submitted, plus who and when. */
static pw_value output_of(pw_step *step, pw_value submitted)
{
    pw_value output = submitted;
    if (!pw_is(submitted, PW_OBJECT)) {
        pw_member value[] = { { PW_LIT("value"), submitted } };
        output = pw_object_of(step->arena, value, 1);
    }
    output =
        pw_with(step->arena, output, PW_LIT("completedBy"), pw_string_ref(pw_event_actor(step)));
    return pw_with(step->arena, output, PW_LIT("completedAt"),
                   pw_moment_value(step->arena, step->event->now_ms));
}

/* The answer must fit its form, and what becomes of it the schema of the task's output: who answers
 * is told, rather than the task fail. True: it does not, *words say why. */
static bool answer_is_wrong(pw_step *step, pw_frame *frame, pw_value submitted, pw_value output,
                            pw_str *words)
{
    const pw_task *task = frame->task;
    pw_value form = pw_is(task->as.user.form, PW_NONE) ? arg(frame, "fs") : task->as.user.form;
    if (pw_data_problem(step, form, submitted, "the answer", words))
        return true;
    if (!task->schemas || pw_is(task->schemas->output, PW_NONE))
        return false;
    size_t literals = step->literals.count;
    bool shaped = !task->output_as ||
                  pw_eval_template(step, frame, task->output_as, output, (pw_value){ 0 }, &output);
    step->literals.count = literals; /* it is done again when the task ends */
    return shaped && pw_data_problem(step, task->schemas->output, output, "the output", words);
}

pw_verdict pw_user_answer(pw_step *step, pw_frame *frame)
{
    const pw_event *event = step->event;
    pw_str claimer = claimed_by(frame, event->now_ms);
    if (!may(frame, event))
        return not_yours(step, frame);
    if (event->restricted && of_another(step, claimer))
        return is_claimed(step, frame, claimer);
    pw_value submitted = pw_copy(step->arena, event->payload);
    pw_value output = output_of(step, submitted);
    pw_str words;
    if (answer_is_wrong(step, frame, submitted, output, &words))
        return pw_refused(step, PAWL_INVALID, PAWL_REASON_BAD_ANSWER, PW_FMT, PW_ARG(words));
    pw_bookmark_consume(step, frame);
    PW_RECORD(step, "bookmark.consumed", frame, { PW_LIT("key"), pw_string_ref(frame->key) },
              { PW_LIT("by"), pw_string_ref(pw_event_actor(step)) }, { PW_LIT("data"), submitted });
    frame->due_ms = PW_WAKE_NEVER;
    if (pw_remedy_is(frame))
        return pw_remedy_answer(step, frame, submitted);
    pw_call_settle(step, frame, output, (pw_value){ 0 });
    return pw_done();
}

/* ------------------------------------------------------------------ late */

static void tell(pw_step *step, pw_frame *frame, const char *type)
{
    pw_str claimer = claimed_by(frame, step->event->now_ms);
    const pw_member more[] = {
        { PW_LIT("task"), pw_string_ref(frame->task->pointer) },
        { PW_LIT("visit"), pw_int((int64_t)frame->visit) },
        { PW_LIT("key"), pw_string_ref(frame->key) },
        { PW_LIT("title"), arg(frame, "ti") },
        { PW_LIT("priority"), pw_int(priority_of(frame)) },
        { PW_LIT("assignedTo"), arg(frame, "as") },
        { PW_LIT("candidates"), arg(frame, "ca") },
        { PW_LIT("claimedBy"), pw_str_value(claimer) },
        { PW_LIT("dueAt"), moment_or_none(step->arena, instant_arg(frame, "du")) },
    };
    pw_record_notice(step, frame, type, more, PW_LENGTH(more));
}

void pw_user_due(pw_step *step, pw_frame *frame)
{
    bool over = frame->at > 0;
    frame->at = over ? 2 : 1;
    frame->due_ms = over ? PW_WAKE_NEVER : instant_arg(frame, "od");
    tell(step, frame, over ? "io.pawl.usertask.overdue.v1" : "io.pawl.usertask.due.v1");
    PW_RECORD(step, over ? "task.overdue" : "task.due", frame,
              { PW_LIT("key"), pw_string_ref(frame->key) },
              { PW_LIT("assignedTo"), arg(frame, "as") },
              { PW_LIT("dueAt"), moment_or_none(step->arena, instant_arg(frame, "du")) });
}

/* ------------------------------------------------------------------ for people */

pw_user_described pw_user_describe(const pw_frame *frame, pw_arena *arena)
{
    pw_user_described told = { 0 };
    if (frame->phase != PHASE_USER)
        return told;
    told.assigned_to = arg(frame, "as");
    told.candidates = arg(frame, "ca");
    told.claimed_by = arg(frame, "by");
    told.claimed_until = moment_or_none(arena, instant_arg(frame, "un"));
    told.priority = arg(frame, "pr");
    told.due_at = moment_or_none(arena, instant_arg(frame, "du"));
    return told;
}
