/* inbox.c - what a row says, where it goes, and what becomes of one that can have no effect. */
#include "engine/engine.h"
#include "base/json.h"

enum { DEPTH_MAX = 64 }; /* as core: more cannot have been asked for */

/* ------------------------------------------------------------------ letters */

static bool reserve(pw_post *post, size_t size)
{
    bool room = atomic_fetch_add(&post->count, 1) < PW_LETTERS_MAX;
    room = atomic_fetch_add(&post->bytes, size) + size <= PW_LETTER_BYTES_MAX && room;
    if (room)
        return true;
    atomic_fetch_sub(&post->bytes, size);
    atomic_fetch_sub(&post->count, 1);
    return false;
}

/* The recovery reads what was left, once half of the room is free. */
static void tell_of_room(pawl *p)
{
    pw_post *post = &p->post;
    if (atomic_load(&post->left) && atomic_load(&post->count) <= PW_LETTERS_MAX / 2 &&
        atomic_load(&post->bytes) <= PW_LETTER_BYTES_MAX / 2)
        pw_recovery_inbox(p->recovery);
}

void pw_letter_left(pawl *p)
{
    atomic_store(&p->post.left, true);
    tell_of_room(p);
}

bool pw_letters_left(pawl *p)
{
    return atomic_load(&p->post.left);
}

pawl_code pw_letter_new(pw_letter **out, pawl *p, const pw_inbox_row *row, bool waited,
                        pawl_error *err)
{
    const pw_str texts[] = { row->target, row->key, row->kind, row->payload, row->actor };
    size_t size = sizeof(pw_letter);
    for (size_t i = 0; i < PW_LENGTH(texts); i++)
        size += texts[i].len;
    *out = NULL;
    if (!waited && !reserve(&p->post, size))
        return PAWL_OK;
    pw_letter *letter = pw_zalloc(size);
    if (!letter) {
        if (!waited) {
            atomic_fetch_sub(&p->post.bytes, size);
            atomic_fetch_sub(&p->post.count, 1);
        }
        return pw_no_memory(err);
    }
    letter->engine = p;
    letter->waited = waited;
    letter->size = size;
    pw_arena_init(&letter->arena, 0);
    pw_str *copies[] = { &letter->row.target, &letter->row.key, &letter->row.kind,
                         &letter->row.payload, &letter->row.actor };
    char *at = letter->text;
    for (size_t i = 0; i < PW_LENGTH(texts); i++) {
        if (texts[i].len)
            memcpy(at, texts[i].ptr, texts[i].len);
        *copies[i] = (pw_str){ at, texts[i].len };
        at += texts[i].len;
    }
    letter->command.message.kind = PW_MESSAGE_COMMAND;
    letter->command.instance = letter->row.target;
    letter->command.letter = letter;
    *out = letter;
    return PAWL_OK;
}

void pw_letter_free(pw_letter *letter)
{
    if (!letter)
        return;
    pawl *p = letter->engine;
    pw_program_unref(letter->command.program);
    pw_arena_done(&letter->arena);
    if (!letter->waited) {
        atomic_fetch_sub(&p->post.bytes, letter->size);
        atomic_fetch_sub(&p->post.count, 1);
        tell_of_room(p);
    }
    pw_free(letter);
}

static void answered(pw_command *command)
{
    pw_letter *letter = command->letter;
    pawl *p = letter->engine;
    if (letter->waited) {
        pw_reply_give(&command->reply);
        return;
    }
    if (pw_letter_lost(letter)) { /* it is busy until that is done */
        pw_recovery_return(p->recovery, letter);
        return;
    }
    bool again = command->code == PAWL_NO_MEMORY || command->code == PAWL_IO;
    pw_letter_free(letter);
    if (again)
        pw_letter_left(p);
    pw_engine_busy(p, false);
}

void pw_letter_send(pw_letter *letter)
{
    pawl *p = letter->engine;
    pw_str target = letter->row.target;
    bool ours = target.len == PW_ID_LENGTH &&
                (letter->waited || pw_leases_held(p->leases) >> pw_store_partition(target) & 1);
    if (!ours) {
        pw_letter_free(letter);
        return;
    }
    letter->command.answered = answered;
    if (!letter->waited)
        pw_engine_busy(p, true);
    pw_mailbox_message(&pw_engine_shard_of(p, target)->mailbox, &letter->command.message);
}

/* ------------------------------------------------------------------ reading */

static bool get_number(pw_value object, const char *name, int64_t low, int64_t high, int64_t *out)
{
    *out = 0;
    pw_value v = pw_get_lit(object, name);
    return pw_is(v, PW_NONE) || (pw_integer(v, out) && *out >= low && *out <= high);
}

static pawl_code may_start(const pw_program *program, bool named, pw_definition_status status,
                           pawl_error *err)
{
    if (status == PW_DEFINITION_PUBLISHED || (status == PW_DEFINITION_DEPRECATED && named))
        return PAWL_OK;
    return pw_fail(err, PAWL_STATE,
                   named ? "version " PW_FMT " of '" PW_FMT "/" PW_FMT
                           "' is %s and cannot be started"
                         : "no version is published; " PW_FMT " of '" PW_FMT "/" PW_FMT "' is %s",
                   PW_ARG(program->version), PW_ARG(program->namespace_), PW_ARG(program->name),
                   pw_definition_status_name(status));
}

/* A schedule hands over only as long as it is that of the newest published version. */
static pawl_code may_go_on(pawl *p, const pw_program *program, pawl_error *err)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_definition newest = { 0 };
    pawl_code code = pw_store_definition_get(p->store, program->namespace_, program->name,
                                             (pw_str){ "", 0 }, &newest, &arena, err);
    if (code == PAWL_OK &&
        (!program->schedule.count || newest.status != PW_DEFINITION_PUBLISHED ||
         !pw_str_eq(newest.version, program->version)))
        code = pw_fail(err, PAWL_STATE,
                       "the schedule of version " PW_FMT " of '" PW_FMT "/" PW_FMT "' is over",
                       PW_ARG(program->version), PW_ARG(program->namespace_),
                       PW_ARG(program->name));
    pw_arena_done(&arena);
    return code;
}

static pawl_code read_start(pw_letter *letter, pw_value payload, pawl_error *err)
{
    pawl *p = letter->engine;
    pw_command *command = &letter->command;
    pw_event *event = &command->event;
    int64_t visit, depth;
    pw_str name = pw_get_text(payload, "name"), version = pw_get_text(payload, "version");
    pw_str parent = pw_get_text(payload, "parent"),
           correlation = pw_get_text(payload, "correlation");
    if (!name.len || !get_number(payload, "visit", 1, INT64_MAX, &visit) ||
        !get_number(payload, "depth", 0, DEPTH_MAX, &depth) || (visit && !parent.len))
        return pw_fail(err, PAWL_INVALID, "the row says not what to start");
    pw_definition_status status = PW_DEFINITION_PUBLISHED;
    pawl_code code =
        pw_programs_get(p->programs, p->store, pw_get_text(payload, "namespace"), name, version,
                        pw_leases_exclusive(p->leases), &command->program, &status, err);
    if (code == PAWL_NOT_FOUND)
        code = pw_fail(err, code, "there is no workflow '" PW_FMT "/" PW_FMT "'%s" PW_FMT,
                       PW_ARG(pw_get_text(payload, "namespace")), PW_ARG(name),
                       version.len ? " of version " : "", PW_ARG(version));
    if (code == PAWL_OK)
        code = may_start(command->program, version.len > 0, status, err);
    event->schedule = pw_truthy(pw_get_lit(payload, "schedule"));
    if (code == PAWL_OK && event->schedule)
        code = may_go_on(p, command->program, err);
    event->payload = pw_get_lit(payload, "input");
    if (pw_is(event->payload, PW_NONE))
        event->payload = pw_null();
    if (code == PAWL_OK)
        code = pw_digest_of_value(letter->digest, event->payload, err);
    if (code != PAWL_OK)
        return code;
    event->depth = (uint32_t)depth;
    event->unheard = true;
    event->parent = visit ? parent : (pw_str){ 0 };
    event->parent_visit = (uint64_t)visit;
    letter->create = (pw_instance_new){
        .namespace_ = command->program->namespace_,
        .name = command->program->name,
        .version = command->program->version,
        .input_digest = { letter->digest, 64 },
        .correlation = correlation.len ? correlation : letter->row.target,
        .parent = parent,
        .schedule = event->schedule,
    };
    command->create = &letter->create;
    return PAWL_OK;
}

static pawl_code read_child_ended(pw_letter *letter, pw_value payload, pawl_error *err)
{
    pw_event *event = &letter->command.event;
    int64_t visit;
    event->key = pw_get_text(payload, "child");
    if (!event->key.len || !get_number(payload, "visit", 1, INT64_MAX, &visit))
        return pw_fail(err, PAWL_INVALID, "the row says not which child has ended");
    event->visit = (uint64_t)visit;
    event->error = pw_get_lit(payload, "error");
    event->payload = pw_get_lit(payload, "output");
    if (pw_is(event->payload, PW_NONE))
        event->payload = pw_null();
    return PAWL_OK;
}

static pawl_code read_resume(pw_letter *letter, pw_value payload, pawl_error *err)
{
    pw_command *command = &letter->command;
    command->event.key = pw_get_text(payload, "key");
    command->event.payload = pw_get_lit(payload, "data");
    if (pw_is(command->event.payload, PW_NONE))
        command->event.payload = pw_null();
    command->data_digest = (pw_str){ letter->digest, 64 };
    return pw_digest_of_value(letter->digest, command->event.payload, err);
}

/* Of a parent that waits for the end of it; or of anybody. */
static pawl_code read_compensate(pw_letter *letter, pw_value payload, pawl_error *err)
{
    pw_event *event = &letter->command.event;
    int64_t visit;
    event->parent = pw_get_text(payload, "parent");
    if (!get_number(payload, "visit", 1, INT64_MAX, &visit) || (event->parent.len > 0) != (visit > 0))
        return pw_fail(err, PAWL_INVALID, "the row says not who wants to know the end");
    event->parent_visit = (uint64_t)visit;
    return PAWL_OK;
}

static pawl_code read_row(pw_letter *letter, pw_event_kind kind, pawl_error *err)
{
    pw_event *event = &letter->command.event;
    pw_value payload = pw_null();
    event->kind = kind;
    event->actor = letter->row.actor;
    if (letter->row.payload.len) {
        const pw_json_limits limits = { .bytes = PW_PAYLOAD_WHOLE_MAX,
                                        .depth = PW_JSON_DEPTH_MAX + 1 };
        pawl_code code = pw_json_parse(&payload, letter->row.payload, &limits, &letter->arena, err);
        if (code != PAWL_OK)
            return code;
    }
    event->reason = pw_get_text(payload, "reason");
    event->payload = pw_null();
    switch ((int)kind) {
    case PW_EVENT_START:
        return read_start(letter, payload, err);
    case PW_EVENT_CHILD_ENDED:
        return read_child_ended(letter, payload, err);
    case PW_EVENT_RESUME:
        return read_resume(letter, payload, err);
    case PW_EVENT_COMPENSATE:
        return read_compensate(letter, payload, err);
    default:
        event->parent = pw_get_text(payload, "parent");
        return PAWL_OK;
    }
}

pawl_code pw_letter_read(pw_letter *letter, pawl_error *err)
{
    static const struct {
        const char *name;
        pw_event_kind kind;
    } kinds[] = {
        { "start", PW_EVENT_START },     { "child-ended", PW_EVENT_CHILD_ENDED },
        { "resume", PW_EVENT_RESUME },   { "cancel", PW_EVENT_CANCEL },
        { "suspend", PW_EVENT_SUSPEND }, { "continue", PW_EVENT_CONTINUE },
        { "retry", PW_EVENT_RETRY },     { "fail", PW_EVENT_FAIL },
        { "compensate", PW_EVENT_COMPENSATE },
    };
    pw_command *command = &letter->command;
    const pw_inbox_row *row = &letter->row;
    command->inbox = (pw_inbox_use){ .key = row->key,
                                     .kind = row->kind,
                                     .payload = row->payload,
                                     .actor = row->actor,
                                     .answer = PW_LIT("{\"ok\":true}"),
                                     .stored = true };
    size_t at = 0;
    while (at < PW_LENGTH(kinds) && !pw_str_is(row->kind, kinds[at].name))
        at++;
    pawl_code code;
    if (at < PW_LENGTH(kinds)) {
        code = read_row(letter, kinds[at].kind, err);
    } else {
        command->event.kind = PW_EVENT_DRIVE; /* the name of the step that refuses it */
        code = pw_fail(err, PAWL_INVALID,
                       "'" PW_FMT "' is no command; resume, cancel, suspend, continue, retry, fail or compensate",
                       PW_ARG(row->kind));
    }
    if (code != PAWL_INVALID || command->event.kind == PW_EVENT_START)
        return code; /* a start that cannot be has no instance that could refuse it */
    command->refused = true;
    if (err)
        command->error = *err;
    return PAWL_OK;
}

/* ------------------------------------------------------------------ what can have no effect */

bool pw_letter_lost(const pw_letter *letter)
{
    switch ((int)letter->command.code) {
    case PAWL_NOT_FOUND: /* what is to be started, or who is to hear of it */
        return letter->command.event.kind == PW_EVENT_START ||
               letter->command.event.kind == PW_EVENT_CHILD_ENDED ||
               letter->command.event.parent.len > 0;
    case PAWL_INVALID:
    case PAWL_STATE:
    case PAWL_CONFLICT:
    case PAWL_CORRUPT:
    case PAWL_SCHEMA:
        return letter->command.event.kind == PW_EVENT_START;
    default:
        return false;
    }
}

/* What the parent hears of a start that cannot be, or of what is to be undone by an instance that is not there. */
static pawl_code make_reply(pw_letter *letter, pw_inbox_row *reply, pawl_error *err)
{
    pw_arena *arena = &letter->arena;
    pw_value payload = { 0 };
    const bool start = letter->command.event.kind == PW_EVENT_START;
    if (pw_json_parse(&payload, letter->row.payload, NULL, arena, NULL) == PAWL_NO_MEMORY)
        return pw_no_memory(err);
    reply->target = pw_get_text(payload, "parent");
    const pw_member error[] = {
        { PW_LIT("type"),
          pw_string_ref(start ? PW_LIT(PW_ERROR_HOST "configuration") : PW_LIT(PW_ERROR_HOST "runtime")) },
        { PW_LIT("status"), pw_int(start ? 400 : 404) },
        { PW_LIT("title"), pw_string_ref(start ? PW_LIT("the workflow cannot be started")
                                               : PW_LIT("the child cannot be compensated: it is not there any more")) },
        { PW_LIT("detail"), pw_string(arena, pw_str_of(letter->command.error.message)) },
        { PW_LIT("instance"), pw_string_ref(PW_LIT("/")) },
    };
    const pw_member members[] = {
        { PW_LIT("visit"), pw_get_lit(payload, "visit") },
        { PW_LIT("child"), pw_string_ref(letter->row.target) },
        { PW_LIT("error"), pw_object_of(arena, error, PW_LENGTH(error)) },
    };
    reply->kind = PW_LIT("child-ended");
    reply->key = start ? pw_arena_printf(arena, "child-" PW_FMT, PW_ARG(letter->row.target))
                       : pw_arena_printf(arena, "gone-" PW_FMT "-%llu", PW_ARG(letter->row.target),
                                         (unsigned long long)letter->command.event.parent_visit);
    reply->payload =
        pw_json_text(arena, pw_object_of(arena, members, PW_LENGTH(members)), PW_JSON_COMPACT);
    reply->created_ms = pw_engine_now(letter->engine);
    return arena->failed ? pw_no_memory(err) : PAWL_OK;
}

/* The cancel of a child whose start has not been read yet waits for it. */
static pawl_code still_to_start(const pw_letter *letter, bool *out, pw_arena *arena,
                                pawl_error *err)
{
    pw_inbox_row row;
    pawl_code code = pw_store_inbox_get(letter->engine->store, letter->row.target, PW_LIT("start"),
                                        &row, arena, err);
    *out = code == PAWL_OK && row.consumed_step == 0;
    return code == PAWL_NOT_FOUND ? PAWL_OK : code;
}

pawl_code pw_letter_return(pw_letter *letter, pawl_error *err)
{
    pawl *p = letter->engine;
    pw_inbox_row reply = { 0 };
    bool waits = false;
    pawl_error error = { .code = PAWL_OK };
    pawl_code code = PAWL_OK;
    const pw_event *event = &letter->command.event;
    if (event->kind != PW_EVENT_START)
        code = still_to_start(letter, &waits, &letter->arena, err);
    if (code == PAWL_OK && (event->kind == PW_EVENT_START || event->kind == PW_EVENT_COMPENSATE))
        code = make_reply(letter, &reply, err);
    if (code != PAWL_OK || waits)
        return code;
    PW_FAULT("engine-before-return");
    code = pw_store_inbox_return(p->store, letter->row.target, letter->row.key,
                                 reply.target.len ? &reply : NULL, &error);
    PW_FAULT("engine-after-return");
    if (code == PAWL_IO)
        pw_committer_suspect(p->committer, &error);
    if (code != PAWL_OK && err)
        *err = error;
    if (code == PAWL_NOT_FOUND) /* somebody else was faster */
        return PAWL_OK;
    pw_letter *to_parent = NULL;
    if (code == PAWL_OK && reply.target.len &&
        pw_letter_new(&to_parent, p, &reply, false, NULL) == PAWL_OK && to_parent)
        pw_letter_send(to_parent);
    else if (code == PAWL_OK && reply.target.len)
        pw_letter_left(p);
    return code;
}
