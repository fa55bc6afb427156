/* rewind.c - an instance goes on from an earlier step, or another begins there.
 *
 * The state of then comes out of the log: each step up to there is decided once more (core/replay.c), from pages of rows,
 * in two arenas that take turns, so that a long log needs no more memory than its largest state. What is found there is
 * given to core with the command, and core does the rest in one step. Between the look into the log and that step the
 * instance may go on: it is from its present state that it goes back, whatever that is. */
#include <stdio.h>
#include "engine/engine.h"

enum {
    PAGE = 64,
    KEEP_BYTES = 4 << 20, /* garbage of so many is kept before the state is copied out of it */
    DONE_MAX = 1000,      /* effects that an answer has; pawl_effects has them all */
};

typedef struct past {
    pawl *p;
    pw_str instance;
    pw_instance_row row;
    pw_program *program;
    pw_expr_machine *machine;
    pw_replay *replay;
    pw_payload_source payloads;
    pw_arena arenas[2], page;
    unsigned now;      /* the arena that the state is in */
    size_t state_used; /* of it, by the state */
    uint64_t step;     /* the last one that was decided */
    int64_t at_ms;     /* its time */
    bool found;        /* the task of the visit that is looked for */
} past;

static pawl_code open_past(past *t, pawl *p, pw_str instance, pw_arena *arena, pawl_error *err)
{
    *t = (past){ .p = p, .instance = instance };
    pw_arena_init(&t->arenas[0], 0);
    pw_arena_init(&t->arenas[1], 0);
    pw_arena_init(&t->page, 0);
    t->payloads = pw_store_payloads(p->store, instance);
    pawl_code code = pw_store_instance_get(p->store, instance, false, &t->row, arena, err);
    if (code == PAWL_NOT_FOUND)
        return pw_fail_reason(err, PAWL_NOT_FOUND, PAWL_REASON_NO_INSTANCE, "there is no instance '" PW_FMT "'",
                              PW_ARG(instance));
    if (code == PAWL_OK)
        code = pw_cleanup_check_whole(&t->row, err);
    if (code == PAWL_OK)
        code = pw_programs_get(p->programs, p->store, t->row.namespace_, t->row.name, t->row.version, false, &t->program,
                               NULL, err);
    if (code == PAWL_OK && !(t->machine = pw_expr_machine_new(&p->limits)))
        code = pw_no_memory(err);
    const pw_identity identity = { .instance = instance, .correlation = t->row.correlation };
    if (code == PAWL_OK)
        code = pw_replay_new(&t->replay, t->program, &identity, &p->settings, &t->payloads, t->machine, err);
    return code;
}

static void close_past(past *t)
{
    pw_replay_free(t->replay);
    pw_expr_machine_free(t->machine);
    pw_program_unref(t->program);
    pw_arena_done(&t->arenas[0]);
    pw_arena_done(&t->arenas[1]);
    pw_arena_done(&t->page);
}

static pawl_code tidy(past *t, pawl_error *err)
{
    pw_arena *now = &t->arenas[t->now], *other = &t->arenas[!t->now];
    if (now->used < t->state_used + KEEP_BYTES)
        return PAWL_OK;
    pawl_code code = pw_replay_move(t->replay, other, err);
    if (code != PAWL_OK)
        return code;
    pw_arena_reset(now);
    t->now = !t->now;
    t->state_used = other->used;
    return PAWL_OK;
}

/* Some text of its entries may be of this visit: the replay knows. */
static bool may_begin(const pw_step_row *row, uint64_t visit)
{
    char text[40];
    int len = snprintf(text, sizeof text, "\"visit\":%llu", (unsigned long long)visit);
    const char *at = row->entries.ptr, *end = at + row->entries.len;
    while (row->entries.len && (at = memmem(at, (size_t)(end - at), text, (size_t)len))) {
        at += len;
        if (at == end || *at < '0' || *at > '9')
            return true;
    }
    return false;
}

static pawl_code decide_step(past *t, const pw_step_row *row, uint64_t visit, pawl_error *err)
{
    const pw_past_step step = { .sequence = row->sequence,
                                .event = row->event,
                                .cause = row->cause,
                                .entries = row->entries,
                                .at_ms = row->at_ms,
                                .actor = row->actor };
    pw_arena *arena = &t->arenas[t->now];
    pawl_code code = PAWL_NOT_FOUND;
    t->step = row->sequence;
    t->at_ms = row->at_ms;
    if (visit && may_begin(row, visit)) {
        code = pw_replay_until(t->replay, &step, visit, arena, err);
        t->found = code == PAWL_OK;
    }
    if (code == PAWL_NOT_FOUND)
        code = pw_replay_step(t->replay, &step, arena, err);
    return code == PAWL_OK ? tidy(t, err) : code;
}

/* To behind a step, or before the beginning of the task of a visit. */
static pawl_code go_to(past *t, uint64_t step, uint64_t visit, pawl_error *err)
{
    pawl_code code = PAWL_OK;
    for (size_t count = 1; count > 0 && code == PAWL_OK && !t->found && (visit || t->step < step);) {
        pw_step_row *rows = NULL;
        pw_arena_reset(&t->page);
        code = pw_store_steps(t->p->store, t->instance, t->step + 1, PAGE, &rows, &count, &t->page, err);
        if (code == PAWL_OK && count > 0 && rows[0].sequence != t->step + 1)
            code = pw_fail_reason(err, PAWL_STATE, PAWL_REASON_CLEANED,
                                  "its log begins with step %llu: what was before was cleaned up, so its state of then cannot be made",
                                  (unsigned long long)rows[0].sequence);
        for (size_t i = 0; i < count && code == PAWL_OK && !t->found && (visit || t->step < step); i++)
            code = decide_step(t, &rows[i], visit, err);
    }
    if (code != PAWL_OK || t->found || (!visit && t->step == step))
        return code == PAWL_OK ? PAWL_OK : pw_error_context(err, code, "instance " PW_FMT, PW_ARG(t->instance));
    if (visit)
        return pw_fail(err, PAWL_NOT_FOUND, "no task of the visit %llu has begun in the instance; `pawl log` has the visits",
                       (unsigned long long)visit);
    return pw_fail(err, PAWL_NOT_FOUND, "there is no step %llu: the log of the instance ends with step %llu",
                   (unsigned long long)step, (unsigned long long)t->step);
}

/* Puts it into the event, and what was done since; the state is in `arena`. */
static pawl_code take(past *t, pw_event *event, uint64_t step, uint64_t visit, pw_value *done, pw_arena *arena,
                      pawl_error *err)
{
    uint64_t next;
    pawl_code code = go_to(t, step, visit, err);
    if (code == PAWL_OK)
        code = pw_replay_move(t->replay, arena, err);
    if (code != PAWL_OK)
        return code;
    event->rewound = pw_replay_state(t->replay);
    event->rewound_ms = t->at_ms;
    event->to_step = t->step;
    event->visit = visit;
    return pw_effects_of(t->p, t->instance, visit ? t->step : t->step + 1, visit, DONE_MAX, done, &next, arena, err);
}

pawl_code pw_rewind_read(pawl *p, pw_command *command, const pawl_act_options *options, pw_value *done, pw_arena *arena,
                         pawl_error *err)
{
    past t;
    pawl_code code = open_past(&t, p, command->instance, arena, err);
    if (code == PAWL_OK)
        code = take(&t, &command->event, options->step, options->visit, done, arena, err);
    close_past(&t);
    return code;
}

/* ------------------------------------------------------------------ another instance */

typedef struct fork_request {
    pw_command command;
    pw_str from, key, labels;
    char id[PW_ID_SIZE], digest[65];
    pw_value done;
} fork_request;

static pawl_code check_fork(fork_request *f, const pawl_fork_options *o, pw_arena *arena, pawl_error *err)
{
    pw_event *event = &f->command.event;
    pawl_code code = pw_id_check(&f->from, o->id, err);
    if (code == PAWL_OK && !o->step == !o->visit)
        code = pw_fail(err, PAWL_INVALID, "fork: give either a step or a visit");
    if (code == PAWL_OK && o->input && !o->visit)
        code = pw_fail(err, PAWL_INVALID, "fork: an input is for the task of a visit; behind a step nothing takes one");
    if (code == PAWL_OK && o->key)
        code = pw_text_check(&f->key, o->key, "fork: key", PW_BUSINESS_KEY_MAX, true, err);
    if (code == PAWL_OK)
        code = pw_text_check(&event->reason, o->reason, "fork: reason", PW_REASON_MAX, false, err);
    if (code == PAWL_OK && o->input)
        code = pw_input_read(&event->payload, o->input, "fork: input", arena, err);
    pw_value labels = { 0 };
    if (code == PAWL_OK && o->labels)
        code = pw_labels_read(&labels, o->labels, "fork: labels", arena, err);
    if (code == PAWL_OK && labels.count)
        f->labels = pw_json_text(arena, labels, PW_JSON_COMPACT);
    event->kind = PW_EVENT_START;
    event->key = f->from;
    event->confirmed = o->confirmed != 0;
    return code == PAWL_OK && arena->failed ? pw_no_memory(err) : code;
}

/* A repeated fork with the same key finds the first; one that asks for something else is a conflict. */
static pawl_code seal_fork(fork_request *f, const pawl_fork_options *o, pw_arena *arena, pawl_error *err)
{
    char numbers[48], input[65] = "";
    pawl_code code = o->input ? pw_digest_of_value(input, f->command.event.payload, err) : PAWL_OK;
    (void)snprintf(numbers, sizeof numbers, "%llu/%llu", (unsigned long long)o->step, (unsigned long long)o->visit);
    const pw_str parts[] = { PW_LIT("fork"), f->from, pw_str_of(numbers), pw_str_of(input), f->key };
    pw_digest digest = pw_digest_of(parts, PW_LENGTH(parts));
    pw_digest_hex(f->digest, &digest);
    return code == PAWL_OK ? pw_request_seal(&f->command, parts, PW_LENGTH(parts), arena, err) : code;
}

static pawl_code send_fork(pawl *p, fork_request *f, const past *t, const pawl_fork_options *o, pawl_error *err)
{
    const pw_str id = { f->id, PW_ID_LENGTH };
    const pw_str correlation = f->command.correlation.len               ? f->command.correlation
                               : pw_str_eq(t->row.correlation, f->from) ? id
                                                                        : t->row.correlation;
    const pw_instance_new create = {
        .namespace_ = t->program->namespace_,
        .name = t->program->name,
        .version = t->program->version,
        .business_key = f->key.len ? f->key : (pw_str){ NULL, 0 },
        .input_digest = pw_str_of(f->digest),
        .correlation = correlation,
        .labels = o->labels ? f->labels : t->row.labels,
    };
    f->command.instance = id;
    f->command.create = &create;
    f->command.program = t->program;
    f->command.if_token = 0;
    return pw_command_send(p, &f->command, err);
}

/* Whether core would begin there; nothing comes of it. */
static pawl_code try_fork(fork_request *f, past *t, pw_arena *arena, pawl_error *err)
{
    const pw_identity identity = { .instance = { f->id, PW_ID_LENGTH }, .sequence = 1, .created_ms = pw_engine_now(t->p) };
    pw_event event = f->command.event;
    pw_transition made;
    event.now_ms = identity.created_ms;
    event.seed = pw_step_seed(identity.instance, 1);
    pawl_code code = pw_core_step(&made, t->program, NULL, &identity, &event, &t->p->settings, t->machine, arena, err);
    if (code != PAWL_OK || made.changed)
        return code;
    return pw_fail_reason(err, made.code, made.reason, PW_FMT, PW_ARG(made.message));
}

static pawl_code fork_it(pawl *p, const pawl_fork_options *o, const pawl_request *request, char **out, pw_arena *arena,
                         pawl_error *err)
{
    past t;
    fork_request f = { 0 };
    char *text = NULL; /* got before: what is committed must be answered */
    pawl_code code = check_fork(&f, o, arena, err);
    if (code == PAWL_OK)
        code = pw_request_read(&f.command, request, NULL, arena, err);
    if (code == PAWL_OK)
        code = seal_fork(&f, o, arena, err);
    if (code != PAWL_OK)
        return code;
    code = open_past(&t, p, f.from, arena, err);
    if (code == PAWL_OK && f.command.if_token && f.command.if_token != t.row.token)
        code = pw_fail_reason(err, PAWL_CONFLICT, PAWL_REASON_STALE_TOKEN,
                              "the instance has the token %llu by now, not %llu",
                              (unsigned long long)t.row.token, (unsigned long long)f.command.if_token);
    if (code == PAWL_OK)
        code = take(&t, &f.command.event, o->step, o->visit, &f.done, arena, err);
    if (code == PAWL_OK)
        code = pw_id_make(f.id, f.key, &f.command, t.program, p, err);
    const pw_member members[] = {
        { PW_LIT("id"), o->dry_run ? (pw_value){ 0 } : pw_string_ref((pw_str){ f.id, PW_ID_LENGTH }) },
        { PW_LIT("dryRun"), o->dry_run ? pw_bool(true) : (pw_value){ 0 } },
        { PW_LIT("from"), pw_string_ref(f.from) },
        { PW_LIT("step"), pw_int((int64_t)f.command.event.to_step) },
        { PW_LIT("done"), f.done },
    };
    if (code == PAWL_OK)
        code = pw_give_json(&text, pw_object_of(arena, members, PW_LENGTH(members)), arena, err);
    if (code == PAWL_OK)
        code = o->dry_run ? try_fork(&f, &t, arena, err) : send_fork(p, &f, &t, o, err);
    if (code == PAWL_OK && out)
        *out = text;
    else
        pw_free(text);
    close_past(&t);
    return code;
}

pawl_code pawl_fork(pawl *p, const pawl_fork_options *given, const pawl_request *request, char **out, pawl_error *err)
{
    pawl_fork_options options;
    pawl_code code = pw_engine_may_write(p, err);
    if (code == PAWL_OK)
        code = pw_options_take(&options, sizeof options, given, true, "pawl_fork_options", err);
    if (code != PAWL_OK)
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    code = fork_it(p, &options, request, out, &arena, err);
    pw_arena_done(&arena);
    return code;
}
