/* actions.c - what people do about an instance: every pawl_change with all its arguments. They are checked here; what the
 * action does, core decides. A dry run is the same command, decided by the same shard from the same state, but thrown
 * away (foresee.c). */
#include <stdio.h>
#include "engine/engine.h"
#include "engine/incidents.h"

/* What an action may be given, and what it cannot do without. */
enum {
    INPUT = PW_BIT(0),
    OUTPUT = PW_BIT(1),
    TASK = PW_BIT(2),
    PATCH = PW_BIT(3),
    STEP = PW_BIT(4),
    VISIT = PW_BIT(5),
    CONFIRMED = PW_BIT(6),
};

static const struct {
    const char *name;
    pw_event_kind event;
    unsigned takes, needs;
} actions[] = {
    [PAWL_CANCEL] = { "cancel", PW_EVENT_CANCEL, 0, 0 },
    [PAWL_SUSPEND] = { "suspend", PW_EVENT_SUSPEND, 0, 0 },
    [PAWL_CONTINUE] = { "continue", PW_EVENT_CONTINUE, 0, 0 },
    [PAWL_RETRY] = { "retry", PW_EVENT_RETRY, INPUT | CONFIRMED, 0 },
    [PAWL_FAIL] = { "fail", PW_EVENT_FAIL, 0, 0 },
    [PAWL_SKIP] = { "skip", PW_EVENT_SKIP, OUTPUT | CONFIRMED, 0 },
    [PAWL_GOTO] = { "goto", PW_EVENT_GOTO, TASK | INPUT | CONFIRMED, TASK },
    [PAWL_EDIT] = { "edit", PW_EVENT_EDIT, PATCH, PATCH },
    [PAWL_COMPENSATE] = { "compensate", PW_EVENT_COMPENSATE, 0, 0 },
    [PAWL_REWIND] = { "rewind", PW_EVENT_REWIND, STEP | VISIT | INPUT | CONFIRMED, 0 },
};

static const char *const arguments[] = { "input", "output", "task", "patch", "step", "visit", "confirmed" };

static unsigned given_of(const pawl_act_options *o)
{
    return (o->input ? INPUT : 0) | (o->output ? OUTPUT : 0) | (o->task ? TASK : 0) | (o->patch ? PATCH : 0) |
           (o->step ? STEP : 0) | (o->visit ? VISIT : 0) | (o->confirmed ? CONFIRMED : 0);
}

static pawl_code check_given(const pawl_act_options *o, pawl_error *err)
{
    const char *name = actions[o->action].name;
    const unsigned given = given_of(o);
    for (unsigned i = 0; i < PW_LENGTH(arguments); i++) {
        if (given & ~actions[o->action].takes & PW_BIT(i))
            return pw_fail(err, PAWL_INVALID, "%s: it takes no %s", name, arguments[i]);
        if (~given & actions[o->action].needs & PW_BIT(i))
            return pw_fail(err, PAWL_INVALID, "%s: %s is missing", name, arguments[i]);
    }
    if (o->action != PAWL_REWIND)
        return PAWL_OK;
    if (!(given & (STEP | VISIT)) || (given & STEP && given & VISIT))
        return pw_fail(err, PAWL_INVALID, "rewind: give either a step or a visit");
    if (given & INPUT && !(given & VISIT))
        return pw_fail(err, PAWL_INVALID, "rewind: an input is for the task of a visit; behind a step nothing takes one");
    return PAWL_OK;
}

static pawl_code read_task(pw_str *out, const pawl_act_options *o, pawl_error *err)
{
    char what[32];
    (void)snprintf(what, sizeof what, "%s: task", actions[o->action].name);
    pawl_code code = pw_text_check(out, o->task, what, PW_REASON_MAX, o->task != NULL, err);
    if (code == PAWL_OK && out->len && out->ptr[0] != '/')
        code = pw_fail(err, PAWL_INVALID, "%s is a JSON pointer, \"/do/0/name\", not '%.60s'", what, o->task);
    return code;
}

/* At most one of them is given. */
static pawl_code read_payload(pw_value *out, const pawl_act_options *o, pw_arena *arena, pawl_error *err)
{
    const char *text = o->input ? o->input : o->output ? o->output : o->patch;
    char what[32];
    if (!text)
        return PAWL_OK;
    (void)snprintf(what, sizeof what, "%s: %s", actions[o->action].name,
                   o->input ? "input" : o->output ? "output" : "patch");
    pawl_code code = pw_input_read(out, text, what, arena, err);
    if (code == PAWL_OK && o->patch && !pw_is(*out, PW_ARRAY))
        code = pw_fail(err, PAWL_INVALID, "%s is a JSON array of operations, as RFC 6902 has it", what);
    return code;
}

/* The same request says the same of all of these. One that says nothing but a reason is sealed as it always was. */
static pawl_code seal(pw_command *command, const pawl_act_options *o, pw_str incident, pw_arena *arena, pawl_error *err)
{
    const pw_event *event = &command->event;
    char digest[65] = "", numbers[64];
    pw_str parts[5] = { event->reason, incident };
    size_t count = incident.len ? 2 : 1;
    if (given_of(o)) {
        pawl_code code = pw_is(event->payload, PW_NONE) ? PAWL_OK : pw_digest_of_value(digest, event->payload, err);
        if (code != PAWL_OK)
            return code;
        (void)snprintf(numbers, sizeof numbers, "%llu/%llu/%d", (unsigned long long)o->step,
                       (unsigned long long)o->visit, o->confirmed != 0);
        parts[2] = event->task;
        parts[3] = pw_str_of(digest);
        parts[4] = pw_str_of(numbers);
        count = PW_LENGTH(parts);
    }
    return pw_request_seal(command, parts, count, arena, err);
}

static pawl_code read_options(pw_command *command, pw_incident_name *name, const pawl_act_options *o, pw_arena *arena,
                              pawl_error *err)
{
    pawl_code code = pw_incident_name_read(name, o->id, err);
    command->instance = name->instance;
    if (code == PAWL_OK)
        code = check_given(o, err);
    if (code == PAWL_OK)
        code = pw_text_check(&command->event.reason, o->reason, "reason", PW_REASON_MAX, false, err);
    if (code == PAWL_OK)
        code = read_task(&command->event.task, o, err);
    if (code == PAWL_OK)
        code = read_payload(&command->event.payload, o, arena, err);
    command->event.confirmed = o->confirmed != 0;
    return code;
}

/* What is foreseen remembers no key: the request that does it may have the same. */
static pawl_code foresee(pawl *p, pw_command *command, char **out, pawl_error *err)
{
    pawl_code code = pw_command_send(p, command, err);
    if (code == PAWL_OK)
        *out = command->foreseen;
    else
        pw_free(command->foreseen);
    return code;
}

static pawl_code act(pawl *p, const pawl_act_options *o, const pawl_request *request, char **out, pw_arena *arena,
                     pawl_error *err)
{
    pw_command command = { .event.kind = actions[o->action].event, .dry_run = o->dry_run != 0 };
    pw_incident_name name;
    pawl_code code = read_options(&command, &name, o, arena, err);
    if (code == PAWL_OK)
        code = pw_request_read(&command, request, NULL, arena, err);
    if (command.dry_run)
        command.once = (pw_str){ 0 };
    if (code == PAWL_OK)
        code = seal(&command, o, pw_str_of(name.step ? o->id : NULL), arena, err);
    if (code == PAWL_OK && o->action == PAWL_REWIND)
        code = pw_rewind_read(p, &command, o, &command.done, arena, err);
    if (code != PAWL_OK)
        return code;
    pawl_code (*const send)(pawl *, pw_command *, char **, pawl_error *) =
        command.dry_run ? foresee : pw_command_carry_out;
    return name.step ? pw_incident_change(p, &command, &name, send, out, arena, err) : send(p, &command, out, err);
}

pawl_code pawl_act(pawl *p, const pawl_act_options *given, const pawl_request *request, char **out, pawl_error *err)
{
    pawl_act_options options;
    pawl_code code = pw_engine_may_write(p, err);
    if (code == PAWL_OK)
        code = pw_options_take(&options, sizeof options, given, true, "pawl_act_options", err);
    if (code != PAWL_OK)
        return code;
    if ((unsigned)options.action >= PW_LENGTH(actions))
        return pw_fail(err, PAWL_INVALID, "act: action is none of pawl_change");
    if (options.dry_run && !out)
        return pw_fail(err, PAWL_INVALID, "act: out is NULL; a dry run gives nothing else");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    code = act(p, &options, request, out, &arena, err);
    pw_arena_done(&arena);
    return code;
}

pawl_code pawl_change_with(pawl *p, const char *id, pawl_change change, const char *reason, const pawl_request *request,
                           char **out, pawl_error *err)
{
    const pawl_act_options options = { .struct_size = sizeof options, .id = id, .action = change, .reason = reason };
    return pawl_act(p, &options, request, out, err);
}
