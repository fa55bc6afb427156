/* commands.c - the commands of callers: checked here, decided by the shard that owns the instance,
 * answered after the commit. The caller waits for the answer, so that everything it gave stays
 * where it is. */
#include <stdio.h>
#include "engine/engine.h"
#include "base/json.h"

enum {
    KEY_MAX = 1024, /* bytes of a bookmark's key */
    NAME_MAX = 256, /* ... of an actor, a group, a correlation id, an idempotency key */
    GROUPS_MAX = 1000, /* of one actor */
    ID_TRIES = 1000, /* one partition of 64 is missed by all once in seven millions */
};

#define START_AT_MAX INT64_C(253402300799999) /* the end of the year 9999 */

/* ------------------------------------------------------------------ sending */

static void answered(pw_command *command)
{
    pw_reply_give(&command->reply);
}

pawl_code pw_command_begin(pawl *p, pw_command *command, pawl_error *err)
{
    pawl_code code = pw_disk_allows(p, command->event.kind == PW_EVENT_START, err);
    if (code == PAWL_OK)
        code = pw_reply_init(&command->reply, err);
    if (code != PAWL_OK)
        return code;
    command->message.kind = PW_MESSAGE_COMMAND;
    command->answered = answered;
    if (!pw_mailbox_command(&pw_engine_shard_of(p, command->instance)->mailbox,
                            &command->message)) {
        pw_reply_done(&command->reply);
        return pw_fail_reason(err, PAWL_BUSY, PAWL_REASON_FULL, "%u commands wait already; try again later",
                              PW_MAILBOX_MAX);
    }
    return PAWL_OK;
}

pawl_code pw_command_end(pw_command *command, pawl_error *err)
{
    (void)pw_reply_wait(&command->reply, UINT64_MAX);
    pw_reply_done(&command->reply);
    if (command->code != PAWL_OK && err) {
        *err = command->error;
        err->code = command->code;
    }
    return command->code;
}

pawl_code pw_command_send(pawl *p, pw_command *command, pawl_error *err)
{
    pawl_code code = pw_command_begin(p, command, err);
    return code == PAWL_OK ? pw_command_end(command, err) : code;
}

/* ------------------------------------------------------------------ checking */

pawl_code pw_text_check(pw_str *out, const char *text, const char *what, size_t most,
                            bool required, pawl_error *err)
{
    *out = pw_str_of(text);
    if (required && out->len == 0)
        return pw_fail(err, PAWL_INVALID, "%s is missing", what);
    if (out->len > most)
        return pw_fail_reason(err, PAWL_INVALID, PAWL_REASON_TOO_LARGE, "%s has %zu bytes; at most %zu", what, out->len,
                              most);
    if (!pw_utf8_valid(*out))
        return pw_fail(err, PAWL_INVALID, "%s is not UTF-8", what);
    return PAWL_OK;
}

pawl_code pw_id_check(pw_str *out, const char *id, pawl_error *err)
{
    *out = pw_str_of(id);
    if (out->len == 0)
        return pw_fail(err, PAWL_INVALID, "the instance's id is missing");
    if (out->len != PW_ID_LENGTH)
        return pw_fail_reason(err, PAWL_NOT_FOUND, PAWL_REASON_NO_INSTANCE, "there is no instance '%.60s'", id);
    return PAWL_OK;
}

pawl_code pw_input_read(pw_value *out, const char *text, const char *what, pw_arena *arena, pawl_error *err)
{
    *out = pw_null();
    if (!text)
        return PAWL_OK;
    const pw_json_limits limits = { .bytes = PW_JSON_INPUT_MAX };
    if (strlen(text) > limits.bytes)
        return pw_fail_reason(err, PAWL_INVALID, PAWL_REASON_TOO_LARGE, "%s has %zu bytes; at most %zu", what, strlen(text),
                              limits.bytes);
    pawl_code code = pw_json_parse(out, pw_str_of(text), &limits, arena, err);
    return code == PAWL_OK ? PAWL_OK : pw_error_context(err, code, "%s", what);
}

pawl_code pw_digest_of_value(char out[65], pw_value v, pawl_error *err)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_json_write(&buf, v, PW_JSON_CANONICAL);
    bool failed = buf.failed;
    pw_str text = pw_buf_view(&buf);
    pw_digest digest = { { 0 } };
    if (!failed)
        digest = pw_digest_of(&text, 1);
    pw_buf_done(&buf);
    if (failed)
        return pw_no_memory(err);
    pw_digest_hex(out, &digest);
    return PAWL_OK;
}

/* ------------------------------------------------------------------ who asks, and how */

/* "00-" 32 digits "-" 16 digits "-" 2 digits, not all zero; whatever else counts as none, as W3C says. */
static bool is_trace(pw_str text)
{
    static const char form[] = "00-tttttttttttttttttttttttttttttttt-pppppppppppppppp-ff";
    bool trace = false, parent = false;
    if (text.len != sizeof form - 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool digit = (text.ptr[i] >= '0' && text.ptr[i] <= '9') || (text.ptr[i] >= 'a' && text.ptr[i] <= 'f');
        if (form[i] == '-' || form[i] == '0' ? text.ptr[i] != form[i] : !digit)
            return false;
        trace = trace || (form[i] == 't' && text.ptr[i] != '0');
        parent = parent || (form[i] == 'p' && text.ptr[i] != '0');
    }
    return trace && parent;
}

static pawl_code read_groups(pw_event *event, const pawl_request *request, pw_arena *arena, pawl_error *err)
{
    if (request->group_count == 0)
        return PAWL_OK;
    if (!request->groups || request->group_count > GROUPS_MAX)
        return pw_fail(err, PAWL_INVALID, "request: groups are %zu; at most %d, in an array", request->group_count,
                       GROUPS_MAX);
    pw_str *groups = PW_NEW_ARRAY(arena, pw_str, request->group_count);
    if (!groups)
        return pw_no_memory(err);
    pawl_code code = PAWL_OK;
    for (size_t i = 0; i < request->group_count && code == PAWL_OK; i++)
        code = pw_text_check(&groups[i], request->groups[i], "request: a group", NAME_MAX, true, err);
    event->groups = groups;
    event->group_count = request->group_count;
    return code;
}

pawl_code pw_request_read(pw_command *command, const pawl_request *given, pw_str *trace, pw_arena *arena,
                          pawl_error *err)
{
    pawl_request request;
    pw_str traced = { 0 }, once = { 0 };
    pawl_code code = pw_options_take(&request, sizeof request, given, false, "pawl_request", err);
    if (code == PAWL_OK)
        code = pw_text_check(&command->event.actor, request.actor, "request: actor", NAME_MAX, false, err);
    if (code == PAWL_OK)
        code = read_groups(&command->event, &request, arena, err);
    if (code == PAWL_OK)
        code = pw_text_check(&command->correlation, request.correlation, "request: correlation", NAME_MAX, false, err);
    if (code == PAWL_OK)
        code = pw_text_check(&traced, request.trace, "request: trace", NAME_MAX, false, err);
    if (code == PAWL_OK && request.idempotency_key)
        code = pw_text_check(&once, request.idempotency_key, "request: idempotency key", NAME_MAX, true, err);
    if (code != PAWL_OK)
        return code;
    command->event.restricted = request.restricted != 0;
    command->if_token = request.if_token;
    command->once = once;
    if (trace)
        *trace = is_trace(traced) ? traced : (pw_str){ 0 };
    return PAWL_OK;
}

pawl_code pw_request_seal(pw_command *command, const pw_str *parts, size_t count, pw_arena *arena,
                          pawl_error *err)
{
    if (!command->once.len)
        return PAWL_OK;
    char hex[PW_DIGEST_HEX_SIZE];
    pw_digest digest = pw_digest_of(parts, count);
    pw_digest_hex(hex, &digest);
    command->inbox.key = pw_arena_printf(arena, PW_REQUEST_PREFIX PW_FMT, PW_ARG(command->once));
    command->inbox.kind = pw_str_of(pw_event_name(command->event.kind));
    command->inbox.payload = pw_arena_str(arena, pw_str_of(hex));
    command->inbox.actor = command->event.actor;
    return arena->failed ? pw_no_memory(err) : PAWL_OK;
}

pawl_code pw_command_carry_out(pawl *p, pw_command *command, char **out, pawl_error *err)
{
    static const char room[128]; /* got before: what is committed must be answered */
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, "{\"id\":");
    pw_json_write_string(&buf, command->instance);
    if (command->event.key.len) {
        pw_buf_text(&buf, ",\"key\":");
        pw_json_write_string(&buf, command->event.key);
    }
    if (!pw_is(command->done, PW_NONE)) {
        pw_buf_text(&buf, ",\"done\":");
        pw_json_write(&buf, command->done, PW_JSON_COMPACT);
    }
    pw_buf_add(&buf, room, sizeof room);
    pawl_code code = buf.failed ? pw_no_memory(err) : pw_command_send(p, command, err);
    if (code == PAWL_OK && out) {
        buf.len -= sizeof room;
        pw_buf_printf(&buf, ",\"token\":%llu,\"status\":\"%s\",\"repeated\":%s}",
                      (unsigned long long)command->token, pw_status_name(command->status),
                      command->repeated ? "true" : "false");
        *out = pw_buf_take(&buf);
    }
    pw_buf_done(&buf);
    return code;
}

/* ------------------------------------------------------------------ start */

typedef struct start_request {
    pw_command command; /* what its pawl_request says is in it */
    pw_str namespace_, name, version, key, correlation;
    pw_str trace, labels;
    int64_t start_at_ms;
    pw_value input;
    char digest[65];
    char id[PW_ID_SIZE];
    void (*on_warning)(void *context, const char *message);
    void *warning_context;
} start_request;

/* "name" or "namespace/name". */
static pawl_code split_name(start_request *out, pawl_error *err)
{
    const char *slash = memchr(out->name.ptr, '/', out->name.len);
    if (!slash)
        return PAWL_OK;
    out->namespace_ = (pw_str){ out->name.ptr, (size_t)(slash - out->name.ptr) };
    out->name = (pw_str){ slash + 1, out->name.len - out->namespace_.len - 1 };
    if (out->namespace_.len && out->name.len)
        return PAWL_OK;
    return pw_fail(err, PAWL_INVALID, "start: name must be \"name\" or \"namespace/name\"");
}

static pawl_code check_labels(start_request *out, const char *text, pw_arena *arena, pawl_error *err)
{
    pw_value labels = { 0 };
    pawl_code code = pw_labels_read(&labels, text, "start: labels", arena, err);
    if (code != PAWL_OK || labels.count == 0)
        return code;
    out->labels = pw_json_text(arena, labels, PW_JSON_COMPACT);
    return out->labels.ptr ? PAWL_OK : pw_no_memory(err);
}

/* What the request says goes before the options of the same name. */
static pawl_code check_who(start_request *out, const pawl_start_options *options, pw_arena *arena, pawl_error *err)
{
    pw_command *command = &out->command;
    pw_str actor;
    pawl_code code =
        pw_text_check(&out->correlation, options->correlation, "start: correlation", NAME_MAX, false, err);
    if (code == PAWL_OK)
        code = pw_text_check(&actor, options->actor, "start: actor", NAME_MAX, false, err);
    if (code == PAWL_OK)
        code = pw_request_read(command, options->request, &out->trace, arena, err);
    if (code != PAWL_OK)
        return code;
    if (!command->event.actor.len)
        command->event.actor = actor;
    if (command->correlation.len)
        out->correlation = command->correlation;
    command->if_token = 0;
    return PAWL_OK;
}

static pawl_code check_start(start_request *out, const pawl_start_options *given, pw_arena *arena,
                             pawl_error *err)
{
    pawl_start_options options;
    pawl_code code = pw_options_take(&options, sizeof options, given, true, "pawl_start_options", err);
    if (code != PAWL_OK)
        return code;
    *out = (start_request){ .on_warning = options.on_warning,
                            .warning_context = options.warning_context,
                            .start_at_ms = options.start_at_ms,
                            .command.event.kind = PW_EVENT_START };
    code =
        pw_text_check(&out->name, options.name, "start: name", 2 * PW_NAME_MAX + 1, true, err);
    if (code == PAWL_OK)
        code = pw_text_check(&out->version, options.version, "start: version", NAME_MAX, false, err);
    if (code == PAWL_OK && options.key)
        code = pw_text_check(&out->key, options.key, "start: key", PW_BUSINESS_KEY_MAX, true, err);
    if (code == PAWL_OK)
        code = check_who(out, &options, arena, err);
    if (code == PAWL_OK)
        code = split_name(out, err);
    if (code == PAWL_OK)
        code = check_labels(out, options.labels, arena, err);
    if (code == PAWL_OK && (options.start_at_ms < 0 || options.start_at_ms > START_AT_MAX))
        code = pw_fail(err, PAWL_INVALID, "start: start_at_ms must be an instant up to the year 9999, not %lld",
                       (long long)options.start_at_ms);
    if (code == PAWL_OK)
        code = pw_input_read(&out->input, options.input, "start: input", arena, err);
    return code == PAWL_OK ? pw_digest_of_value(out->digest, out->input, err) : code;
}

/* The correlation is no part of what is asked: who asks again may have another. */
static pawl_code seal_start(start_request *request, pw_arena *arena, pawl_error *err)
{
    char at[24];
    (void)snprintf(at, sizeof at, "%lld", (long long)request->start_at_ms);
    const pw_str parts[] = { request->namespace_, request->name,     request->version,
                             request->key,        request->labels,   pw_str_of(at),
                             { request->digest, PW_DIGEST_HEX_SIZE - 1 } };
    return pw_request_seal(&request->command, parts, PW_LENGTH(parts), arena, err);
}

pawl_code pw_id_make(char *out, pw_str key, const pw_command *command, const pw_program *program, const pawl *p,
                     pawl_error *err)
{
    if (key.len) {
        const pw_str parts[] = { program->namespace_, program->name, key };
        pw_digest digest = pw_digest_of(parts, PW_LENGTH(parts));
        pw_id_of_digest(out, &digest);
        return PAWL_OK;
    }
    if (command->once.len) { /* the same request again finds its instance */
        const pw_str parts[] = { PW_LIT("request"), command->event.actor, command->once };
        pw_digest digest = pw_digest_of(parts, PW_LENGTH(parts));
        pw_id_of_digest(out, &digest);
        return PAWL_OK;
    }
    const uint64_t held = pw_leases_held(p->leases);
    pawl_code code = PAWL_OK;
    bool good = false;
    for (unsigned i = 0; i < ID_TRIES && code == PAWL_OK && !good; i++) {
        uint8_t random[10];
        code = pw_random(random, sizeof random, err);
        if (code == PAWL_OK)
            pw_id_of_time(out, (uint64_t)pw_engine_now(p), random);
        good = held == 0 || held >> pw_store_partition((pw_str){ out, PW_ID_LENGTH }) & 1;
    }
    return code;
}

/* A start that is repeated finds its instance, whatever the definition has become meanwhile. */
static pawl_code was_started(pawl *p, const start_request *request, bool *out, pw_arena *arena,
                             pawl_error *err)
{
    pw_instance_row row;
    *out = false;
    if (!request->key.len && !request->command.once.len)
        return PAWL_OK;
    pawl_code code = pw_store_instance_get(p->store, (pw_str){ request->id, PW_ID_LENGTH }, false,
                                           &row, arena, err);
    *out = code == PAWL_OK;
    return code == PAWL_NOT_FOUND ? PAWL_OK : code;
}

static pawl_code check_status(pawl *p, const start_request *request, const pw_program *program,
                              pw_definition_status status, pw_arena *arena, pawl_error *err)
{
    char message[480];
    bool deprecated = status == PW_DEFINITION_DEPRECATED, started;
    if (status == PW_DEFINITION_PUBLISHED)
        return PAWL_OK;
    if (deprecated && request->version.len) {
        (void)snprintf(
            message, sizeof message, "version " PW_FMT " of '" PW_FMT "/" PW_FMT "' is deprecated",
            PW_ARG(program->version), PW_ARG(program->namespace_), PW_ARG(program->name));
        if (request->on_warning)
            request->on_warning(request->warning_context, message);
        return PAWL_OK;
    }
    pawl_code code = was_started(p, request, &started, arena, err);
    if (code != PAWL_OK || started)
        return code;
    if (!request->version.len)
        return pw_fail_reason(err, PAWL_STATE, PAWL_REASON_NOT_STARTABLE,
                              "no version of '" PW_FMT "/" PW_FMT "' is published; " PW_FMT " is %s%s",
                              PW_ARG(program->namespace_), PW_ARG(program->name), PW_ARG(program->version),
                              pw_definition_status_name(status),
                              deprecated ? ", and starts only if it is named" : "");
    return pw_fail_reason(err, PAWL_STATE, PAWL_REASON_NOT_STARTABLE,
                          "version " PW_FMT " of '" PW_FMT "/" PW_FMT "' is %s and cannot be started",
                          PW_ARG(program->version), PW_ARG(program->namespace_), PW_ARG(program->name),
                          pw_definition_status_name(status));
}

static pawl_code send_start(pawl *p, start_request *request, pw_program *program, bool *existed,
                            pawl_error *err)
{
    const pw_str id = { request->id, PW_ID_LENGTH };
    const pw_instance_new create = {
        .namespace_ = program->namespace_,
        .name = program->name,
        .version = program->version,
        .business_key = request->key.len ? request->key : (pw_str){ NULL, 0 },
        .input_digest = { request->digest, 64 },
        .correlation = request->correlation.len ? request->correlation : id,
        .labels = request->labels,
        .trace = request->trace,
    };
    pw_command *command = &request->command;
    command->instance = id;
    command->create = &create;
    command->program = program;
    command->event.payload = request->input;
    command->event.start_at_ms = request->start_at_ms;
    pawl_code code = pw_command_send(p, command, err);
    *existed = command->existed;
    return code;
}

pawl_code pawl_start(pawl *p, const pawl_start_options *options, char **id, int *existed,
                     pawl_error *err)
{
    pawl_code code = pw_engine_may_write(p, err);
    if (code != PAWL_OK)
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    start_request request;
    pw_program *program = NULL;
    pw_definition_status status = PW_DEFINITION_PUBLISHED;
    bool found = false;
    code = check_start(&request, options, &arena, err);
    if (code == PAWL_OK)
        code = pw_programs_get(p->programs, p->store, request.namespace_, request.name,
                               request.version, pw_leases_exclusive(p->leases), &program, &status,
                               err); /* another node may have deployed a newer one */
    code = pw_because(err, code, PAWL_NOT_FOUND, PAWL_REASON_NO_DEFINITION);
    if (code == PAWL_OK)
        code = seal_start(&request, &arena, err);
    if (code == PAWL_OK)
        code = pw_id_make(request.id, request.key, &request.command, program, p, err);
    if (code == PAWL_OK)
        code = check_status(p, &request, program, status, &arena, err);
    char *text = NULL; /* got before: a start that is committed must be answered */
    if (code == PAWL_OK && id && !(text = pw_strdup((pw_str){ request.id, PW_ID_LENGTH })))
        code = pw_no_memory(err);
    if (code == PAWL_OK)
        code = send_start(p, &request, program, &found, err);
    if (code == PAWL_OK) {
        if (id)
            *id = text;
        if (existed)
            *existed = found;
    } else {
        pw_free(text);
    }
    pw_program_unref(program);
    pw_arena_done(&arena);
    return code;
}

/* ------------------------------------------------------------------ resume */

static pawl_code check_resume(pw_command *command, const pawl_resume_options *given, pw_arena *arena, pawl_error *err)
{
    static const pw_bookmark_kind kinds[] = { PW_BOOKMARK_USER, PW_BOOKMARK_TIMER, PW_BOOKMARK_MESSAGE };
    pawl_resume_options options;
    pw_event *event = &command->event;
    pawl_code code = pw_options_take(&options, sizeof options, given, true, "pawl_resume_options", err);
    if (code == PAWL_OK)
        code = pw_id_check(&command->instance, options.id, err);
    if (code == PAWL_OK)
        code = pw_text_check(&event->key, options.key, "resume: key", KEY_MAX, true, err);
    if (code == PAWL_OK)
        code = pw_text_check(&event->task, options.task, "resume: task", PW_REASON_MAX, false, err);
    if (code == PAWL_OK)
        code = pw_input_read(&event->payload, options.data, "resume: data", arena, err);
    if (code != PAWL_OK)
        return code;
    size_t at = 0;
    event->bookmark = pw_str_of(options.kind);
    while (event->bookmark.len && at < PW_LENGTH(kinds) &&
           !pw_str_is(event->bookmark, pw_bookmark_kind_name(kinds[at])))
        at++;
    if (at == PW_LENGTH(kinds))
        return pw_fail(err, PAWL_INVALID, "resume: kind is user-action, timer or external-message, not '%.40s'",
                       options.kind);
    return PAWL_OK;
}

pawl_code pawl_resume_with(pawl *p, const pawl_resume_options *options, const pawl_request *request, char **out,
                           pawl_error *err)
{
    pw_command command = { .event.kind = PW_EVENT_RESUME };
    char digest[65];
    pawl_code code = pw_engine_may_write(p, err);
    if (code != PAWL_OK)
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    code = check_resume(&command, options, &arena, err);
    if (code == PAWL_OK)
        code = pw_request_read(&command, request, NULL, &arena, err);
    if (code == PAWL_OK)
        code = pw_digest_of_value(digest, command.event.payload, err);
    if (code == PAWL_OK) {
        command.data_digest = (pw_str){ digest, 64 };
        const pw_str parts[] = { command.event.key, command.event.task, command.event.bookmark, command.data_digest };
        code = pw_request_seal(&command, parts, PW_LENGTH(parts), &arena, err);
    }
    if (code == PAWL_OK)
        code = pw_command_carry_out(p, &command, out, err);
    pw_arena_done(&arena);
    return code;
}

pawl_code pawl_resume(pawl *p, const char *id, const char *key, const char *data, const char *actor,
                      pawl_error *err)
{
    const pawl_resume_options options = { .struct_size = sizeof options, .id = id, .key = key, .data = data };
    const pawl_request request = { .struct_size = sizeof request, .actor = actor };
    return pawl_resume_with(p, &options, &request, NULL, err);
}

/* ------------------------------------------------------------------ cancel, suspend, continue */

static pawl_code change_as(pawl *p, pawl_change change, const char *id, const char *actor, const char *reason,
                           pawl_error *err)
{
    const pawl_request request = { .struct_size = sizeof request, .actor = actor };
    return pawl_change_with(p, id, change, reason, &request, NULL, err);
}

pawl_code pawl_cancel(pawl *p, const char *id, const char *actor, const char *reason,
                      pawl_error *err)
{
    return change_as(p, PAWL_CANCEL, id, actor, reason, err);
}

pawl_code pawl_suspend(pawl *p, const char *id, const char *actor, const char *reason,
                       pawl_error *err)
{
    return change_as(p, PAWL_SUSPEND, id, actor, reason, err);
}

pawl_code pawl_continue(pawl *p, const char *id, const char *actor, const char *reason,
                        pawl_error *err)
{
    return change_as(p, PAWL_CONTINUE, id, actor, reason, err);
}

/* ------------------------------------------------------------------ delete */

/* The instance has ended, so its owner has nothing to decide any more: the store does it, if nobody has moved
 * it meanwhile. Whoever waits for it is told. */
static pawl_code delete(pawl *p, const pw_command *command, pawl_error *err)
{
    pw_deleted deleted = { .message.kind = PW_MESSAGE_DELETED, .instance = command->instance };
    pawl_error error = { .code = PAWL_OK };
    pawl_code code = pw_reply_init(&deleted.reply, err);
    if (code != PAWL_OK)
        return code;
    code = pw_store_instance_delete(p->store, command->instance, command->if_token, &error);
    if (code == PAWL_OK) {
        pw_mailbox_message(&pw_engine_shard_of(p, command->instance)->mailbox, &deleted.message);
        (void)pw_reply_wait(&deleted.reply, UINT64_MAX);
    }
    pw_reply_done(&deleted.reply);
    if (code == PAWL_IO)
        pw_committer_suspect(p->committer, &error);
    (void)pw_because(&error, code, PAWL_NOT_FOUND, PAWL_REASON_NO_INSTANCE);
    (void)pw_because(&error, code, PAWL_STATE, PAWL_REASON_NOT_ENDED);
    (void)pw_because(&error, code, PAWL_CONFLICT, PAWL_REASON_STALE_TOKEN);
    if (code != PAWL_OK && err)
        *err = error;
    return code;
}

/* What is deleted remembers no request: the store does, and whether there was something to delete. */
static pawl_code remember_deletion(pawl *p, const pw_command *command, bool there, int *seen, pawl_error *err)
{
    const pw_str parts[] = { there ? PW_LIT("delete") : PW_LIT("delete what is not there"), command->instance };
    char hex[PW_DIGEST_HEX_SIZE];
    pw_digest digest = pw_digest_of(parts, PW_LENGTH(parts));
    pw_digest_hex(hex, &digest);
    return pawl_once(p, command->event.actor.ptr, command->once.ptr, hex, seen, err);
}

/* *done: this request has deleted it before. */
static pawl_code once_deleted(pawl *p, const pw_command *command, bool *done, pw_arena *arena, pawl_error *err)
{
    pw_instance_row row;
    int seen = 0;
    pawl_code code = pw_store_instance_get(p->store, command->instance, false, &row, arena, err);
    bool there = code == PAWL_OK;
    if (code == PAWL_OK || code == PAWL_NOT_FOUND)
        code = remember_deletion(p, command, there, &seen, err);
    if (code == PAWL_CONFLICT && !there && (code = remember_deletion(p, command, true, &seen, err)) == PAWL_OK)
        there = true;
    *done = code == PAWL_OK && there && seen;
    return code;
}

pawl_code pawl_delete(pawl *p, const char *id, const pawl_request *request, pawl_error *err)
{
    pw_command command = { .code = PAWL_OK };
    bool done = false;
    pawl_code code = pw_engine_may_write(p, err);
    if (code != PAWL_OK)
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    code = pw_id_check(&command.instance, id, err);
    if (code == PAWL_OK)
        code = pw_request_read(&command, request, NULL, &arena, err);
    if (code == PAWL_OK && command.once.len)
        code = once_deleted(p, &command, &done, &arena, err);
    if (code == PAWL_OK)
        code = delete(p, &command, err);
    pw_arena_done(&arena);
    return code == PAWL_NOT_FOUND && done ? PAWL_OK : code;
}
