/* commands.c - the commands of callers: checked here, decided by the shard that owns the instance,
 * answered after the commit. The caller waits for the answer, so that everything it gave stays
 * where it is. */
#include "engine/engine.h"
#include "base/json.h"

enum {
    KEY_MAX = 1024, /* bytes of a bookmark's key */
    NAME_MAX = 256, /* ... of an actor or a correlation id */
    REASON_MAX = 4096,
    ID_TRIES = 1000, /* one partition of 64 is missed by all once in seven millions */
};

/* ------------------------------------------------------------------ sending */

static void answered(pw_command *command)
{
    pw_reply_give(&command->reply);
}

pawl_code pw_command_send(pawl *p, pw_command *command, pawl_error *err)
{
    pawl_code code = pw_reply_init(&command->reply, err);
    if (code != PAWL_OK)
        return code;
    command->message.kind = PW_MESSAGE_COMMAND;
    command->answered = answered;
    if (!pw_mailbox_command(&pw_engine_shard_of(p, command->instance)->mailbox,
                            &command->message)) {
        pw_reply_done(&command->reply);
        return pw_fail(err, PAWL_BUSY, "%u commands wait already; try again later", PW_MAILBOX_MAX);
    }
    (void)pw_reply_wait(&command->reply, UINT64_MAX);
    pw_reply_done(&command->reply);
    if (command->code != PAWL_OK && err) {
        *err = command->error;
        err->code = command->code;
    }
    return command->code;
}

/* ------------------------------------------------------------------ checking */

static pawl_code check_text(pw_str *out, const char *text, const char *what, size_t most,
                            bool required, pawl_error *err)
{
    *out = pw_str_of(text);
    if (required && out->len == 0)
        return pw_fail(err, PAWL_INVALID, "%s is missing", what);
    if (out->len > most)
        return pw_fail(err, PAWL_INVALID, "%s has %zu bytes; at most %zu", what, out->len, most);
    if (!pw_utf8_valid(*out))
        return pw_fail(err, PAWL_INVALID, "%s is not UTF-8", what);
    return PAWL_OK;
}

static pawl_code check_id(pw_str *out, const char *id, pawl_error *err)
{
    *out = pw_str_of(id);
    if (out->len == 0)
        return pw_fail(err, PAWL_INVALID, "the instance's id is missing");
    if (out->len != PW_ID_LENGTH)
        return pw_fail(err, PAWL_NOT_FOUND, "there is no instance '%.60s'", id);
    return PAWL_OK;
}

static pawl_code parse_input(pw_value *out, const char *text, const char *what, pw_arena *arena,
                             pawl_error *err)
{
    *out = pw_null();
    if (!text)
        return PAWL_OK;
    const pw_json_limits limits = { .bytes = PW_JSON_INPUT_MAX };
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
    for (size_t i = 0; i < sizeof digest.bytes; i++) {
        out[2 * i] = "0123456789abcdef"[digest.bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[digest.bytes[i] & 15];
    }
    out[64] = '\0';
    return PAWL_OK;
}

/* ------------------------------------------------------------------ start */

typedef struct start_request {
    pw_str namespace_, name, version, key, correlation, actor;
    pw_value input;
    char digest[65];
    char id[PW_ID_SIZE];
} start_request;

static pawl_code check_start(start_request *out, const pawl_start_options *given, pw_arena *arena,
                             pawl_error *err)
{
    pawl_start_options options = { 0 };
    if (!given || given->struct_size == 0)
        return pw_fail(err, PAWL_INVALID,
                       "start: struct_size is 0; set it to sizeof(pawl_start_options)");
    memcpy(&options, given,
           given->struct_size < sizeof options ? given->struct_size : sizeof options);
    *out = (start_request){ 0 };
    pawl_code code =
        check_text(&out->name, options.name, "start: name", 2 * PW_NAME_MAX + 1, true, err);
    if (code == PAWL_OK)
        code = check_text(&out->version, options.version, "start: version", NAME_MAX, false, err);
    if (code == PAWL_OK && options.key)
        code = check_text(&out->key, options.key, "start: key", PW_BUSINESS_KEY_MAX, true, err);
    if (code == PAWL_OK)
        code = check_text(&out->correlation, options.correlation, "start: correlation", NAME_MAX,
                          false, err);
    if (code == PAWL_OK)
        code = check_text(&out->actor, options.actor, "start: actor", NAME_MAX, false, err);
    if (code != PAWL_OK)
        return code;
    const char *slash = memchr(out->name.ptr, '/', out->name.len);
    if (slash) {
        out->namespace_ = (pw_str){ out->name.ptr, (size_t)(slash - out->name.ptr) };
        out->name = (pw_str){ slash + 1, out->name.len - out->namespace_.len - 1 };
        if (!out->namespace_.len || !out->name.len)
            return pw_fail(err, PAWL_INVALID, "start: name must be \"name\" or \"namespace/name\"");
    }
    code = parse_input(&out->input, options.input, "start: input", arena, err);
    return code == PAWL_OK ? pw_digest_of_value(out->digest, out->input, err) : code;
}

/* Without a key any id will do: one that this node decides for, if it can be had. */
static pawl_code make_id(start_request *request, const pw_program *program, const pawl *p,
                         pawl_error *err)
{
    if (request->key.len) {
        const pw_str parts[] = { program->namespace_, program->name, request->key };
        pw_digest digest = pw_digest_of(parts, PW_LENGTH(parts));
        pw_id_of_digest(request->id, &digest);
        return PAWL_OK;
    }
    const uint64_t held = pw_leases_held(p->leases);
    pawl_code code = PAWL_OK;
    bool good = false;
    for (unsigned i = 0; i < ID_TRIES && code == PAWL_OK && !good; i++) {
        uint8_t random[10];
        code = pw_random(random, sizeof random, err);
        if (code == PAWL_OK)
            pw_id_of_time(request->id, (uint64_t)pw_engine_now(p), random);
        good = held == 0 || held >> pw_store_partition((pw_str){ request->id, PW_ID_LENGTH }) & 1;
    }
    return code;
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
    };
    pw_command command = {
        .instance = id,
        .event = { .kind = PW_EVENT_START, .payload = request->input, .actor = request->actor },
        .create = &create,
        .program = program,
    };
    pawl_code code = pw_command_send(p, &command, err);
    *existed = command.existed;
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
    bool found = false;
    code = check_start(&request, options, &arena, err);
    if (code == PAWL_OK)
        code = pw_programs_get(p->programs, p->store, request.namespace_, request.name,
                               request.version, pw_leases_exclusive(p->leases), &program,
                               err); /* another node may have deployed a newer one */
    if (code == PAWL_OK)
        code = make_id(&request, program, p, err);
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

pawl_code pawl_resume(pawl *p, const char *id, const char *key, const char *data, const char *actor,
                      pawl_error *err)
{
    pw_command command = { .event.kind = PW_EVENT_RESUME };
    char digest[65];
    pw_arena arena;
    pawl_code code = pw_engine_may_write(p, err);
    if (code == PAWL_OK)
        code = check_id(&command.instance, id, err);
    if (code == PAWL_OK)
        code = check_text(&command.event.key, key, "resume: key", KEY_MAX, true, err);
    if (code == PAWL_OK)
        code = check_text(&command.event.actor, actor, "resume: actor", NAME_MAX, false, err);
    if (code != PAWL_OK)
        return code;
    pw_arena_init(&arena, 0);
    code = parse_input(&command.event.payload, data, "resume: data", &arena, err);
    if (code == PAWL_OK)
        code = pw_digest_of_value(digest, command.event.payload, err);
    if (code == PAWL_OK) {
        command.data_digest = (pw_str){ digest, 64 };
        code = pw_command_send(p, &command, err);
    }
    pw_arena_done(&arena);
    return code;
}

/* ------------------------------------------------------------------ cancel, suspend, continue */

static pawl_code control(pawl *p, pw_event_kind kind, const char *id, const char *actor,
                         const char *reason, pawl_error *err)
{
    pw_command command = { .event.kind = kind };
    pawl_code code = pw_engine_may_write(p, err);
    if (code == PAWL_OK)
        code = check_id(&command.instance, id, err);
    if (code == PAWL_OK)
        code = check_text(&command.event.actor, actor, "actor", NAME_MAX, false, err);
    if (code == PAWL_OK)
        code = check_text(&command.event.reason, reason, "reason", REASON_MAX, false, err);
    return code == PAWL_OK ? pw_command_send(p, &command, err) : code;
}

pawl_code pawl_cancel(pawl *p, const char *id, const char *actor, const char *reason,
                      pawl_error *err)
{
    return control(p, PW_EVENT_CANCEL, id, actor, reason, err);
}

pawl_code pawl_suspend(pawl *p, const char *id, const char *actor, const char *reason,
                       pawl_error *err)
{
    return control(p, PW_EVENT_SUSPEND, id, actor, reason, err);
}

pawl_code pawl_continue(pawl *p, const char *id, const char *actor, const char *reason,
                        pawl_error *err)
{
    return control(p, PW_EVENT_CONTINUE, id, actor, reason, err);
}

/* ------------------------------------------------------------------ waiting */

pawl_code pawl_wait(pawl *p, const char *id, pawl_wait_for what, uint64_t timeout_ms, char **out,
                    pawl_error *err)
{
    static const pw_watch_kind kinds[] = { [PAWL_WAIT_END] = PW_WATCH_END,
                                           [PAWL_WAIT_SETTLED] = PW_WATCH_SETTLED,
                                           [PAWL_WAIT_IDLE] = PW_WATCH_IDLE };
    pw_watch watch = { .message.kind = PW_MESSAGE_WATCH,
                       .cancel.kind = PW_MESSAGE_UNWATCH,
                       .once = timeout_ms == 0 };
    pawl_code code = pw_engine_may_write(p, err);
    if (code == PAWL_OK)
        code = check_id(&watch.instance, id, err);
    if (code != PAWL_OK)
        return code;
    if ((unsigned)what >= PW_LENGTH(kinds))
        return pw_fail(err, PAWL_INVALID, "wait: what to wait for is none of pawl_wait_for");
    watch.kind = kinds[what];
    code = pw_reply_init(&watch.reply, err);
    if (code != PAWL_OK)
        return code;
    code = pw_reply_init(&watch.withdrawn, err);
    if (code != PAWL_OK) {
        pw_reply_done(&watch.reply);
        return code;
    }
    pw_mailbox *box = &pw_engine_shard_of(p, watch.instance)->mailbox;
    pw_mailbox_message(box, &watch.message);
    uint64_t now = pw_monotonic_ns();
    bool endless = timeout_ms == 0 || timeout_ms > (UINT64_MAX - now) / 1000000u;
    if (!pw_reply_wait(&watch.reply, endless ? UINT64_MAX : now + timeout_ms * 1000000u)) {
        /* Both messages are the shard's until it says so, even if the answer comes meanwhile. */
        pw_mailbox_message(box, &watch.cancel);
        (void)pw_reply_wait(&watch.withdrawn, UINT64_MAX);
    }
    pw_reply_done(&watch.withdrawn);
    pw_reply_done(&watch.reply);
    if (watch.code == PAWL_OK)
        return out ? pawl_show(p, id, out, err) : PAWL_OK;
    if (watch.code == PAWL_TIMEOUT)
        return pw_fail(err, PAWL_TIMEOUT, "instance %s is not there yet", id);
    if (err) {
        *err = watch.error;
        err->code = watch.code;
    }
    return watch.code;
}
