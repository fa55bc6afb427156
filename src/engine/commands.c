/* commands.c - the commands of callers: checked here, decided by the shard that owns the instance,
 * answered after the commit. The caller waits for the answer, so that everything it gave stays
 * where it is. */
#include <stdio.h>
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
    pw_digest_hex(out, &digest);
    return PAWL_OK;
}

/* ------------------------------------------------------------------ start */

typedef struct start_request {
    pw_str namespace_, name, version, key, correlation, actor;
    pw_value input;
    char digest[65];
    char id[PW_ID_SIZE];
    void (*on_warning)(void *context, const char *message);
    void *warning_context;
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
    *out = (start_request){ .on_warning = options.on_warning,
                            .warning_context = options.warning_context };
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

/* A start that is repeated finds its instance, whatever the definition has become meanwhile. */
static pawl_code was_started(pawl *p, const start_request *request, bool *out, pw_arena *arena,
                             pawl_error *err)
{
    pw_instance_row row;
    *out = false;
    if (!request->key.len)
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
        return pw_fail(err, PAWL_STATE,
                       "no version of '" PW_FMT "/" PW_FMT "' is published; " PW_FMT " is %s%s",
                       PW_ARG(program->namespace_), PW_ARG(program->name), PW_ARG(program->version),
                       pw_definition_status_name(status),
                       deprecated ? ", and starts only if it is named" : "");
    return pw_fail(err, PAWL_STATE,
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
    pw_definition_status status = PW_DEFINITION_PUBLISHED;
    bool found = false;
    code = check_start(&request, options, &arena, err);
    if (code == PAWL_OK)
        code = pw_programs_get(p->programs, p->store, request.namespace_, request.name,
                               request.version, pw_leases_exclusive(p->leases), &program, &status,
                               err); /* another node may have deployed a newer one */
    if (code == PAWL_OK)
        code = make_id(&request, program, p, err);
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

typedef struct wait_request {
    pawl *p;
    pw_watch_kind kind;
    bool once; /* only look */
    uint64_t deadline_ns;
} wait_request;

/* Until this one is there, whatever its children do. */
static pawl_code wait_for_one(const wait_request *request, pw_str id, pawl_error *err)
{
    pw_watch watch = { .message.kind = PW_MESSAGE_WATCH,
                       .cancel.kind = PW_MESSAGE_UNWATCH,
                       .instance = id,
                       .kind = request->kind,
                       .once = request->once };
    pawl_code code = pw_reply_init(&watch.reply, err);
    if (code != PAWL_OK)
        return code;
    code = pw_reply_init(&watch.withdrawn, err);
    if (code != PAWL_OK) {
        pw_reply_done(&watch.reply);
        return code;
    }
    pw_mailbox *box = &pw_engine_shard_of(request->p, id)->mailbox;
    pw_mailbox_message(box, &watch.message);
    if (!pw_reply_wait(&watch.reply, request->deadline_ns)) {
        /* Both messages are the shard's until it says so, even if the answer comes meanwhile. */
        pw_mailbox_message(box, &watch.cancel);
        (void)pw_reply_wait(&watch.withdrawn, UINT64_MAX);
    }
    pw_reply_done(&watch.withdrawn);
    pw_reply_done(&watch.reply);
    if (watch.code == PAWL_OK)
        return PAWL_OK;
    if (watch.code == PAWL_TIMEOUT)
        return pw_fail(err, PAWL_TIMEOUT, "instance " PW_FMT " is not there yet", PW_ARG(id));
    if (err) {
        *err = watch.error;
        err->code = watch.code;
    }
    return watch.code;
}

/* *found: there is such a row. *again: it has had its effect just now, or will have it soon. */
static pawl_code look_at_row(const wait_request *request, pw_str target, pw_str key, bool *found,
                             bool *again, pw_arena *arena, pawl_error *err)
{
    pawl *p = request->p;
    pw_inbox_row row;
    bool whole;
    pawl_code code = pw_store_inbox_get(p->store, target, key, &row, arena, err);
    *found = code == PAWL_OK;
    if (code == PAWL_NOT_FOUND)
        return PAWL_OK;
    if (code == PAWL_OK && request->once)
        return pw_fail(err, PAWL_TIMEOUT, "what was sent to " PW_FMT " is not there yet",
                       PW_ARG(target));
    *again = code == PAWL_OK;
    if (code != PAWL_OK || row.consumed_step > 0)
        return code;
    pw_recovery_inbox(p->recovery);
    return pw_recovery_round(p->recovery, request->deadline_ns, &whole, err);
}

/* What the two have sent each other may still be on its way: the start of a child that is not there, or
 * the end of one that is as far as it comes. */
static pawl_code look_for_rows(const wait_request *request, pw_str parent, pw_str child, bool begun,
                               bool *again, pw_arena *arena, pawl_error *err)
{
    bool found = false;
    pawl_code code = PAWL_OK;
    if (!begun)
        code = look_at_row(request, child, PW_LIT("start"), &found, again, arena, err);
    if (code != PAWL_OK || found)
        return code;
    pw_str key = pw_arena_printf(arena, "child-" PW_FMT, PW_ARG(child));
    return key.ptr ? look_at_row(request, parent, key, &found, again, arena, err)
                   : pw_no_memory(err);
}

static pawl_code wait_with_children(const wait_request *request, pw_str id, pawl_error *err);

/* *again: the instance has moved since, because of one of them. */
static pawl_code wait_for_children(const wait_request *request, pw_str id, bool *again,
                                   pw_arena *arena, pawl_error *err)
{
    pw_store *store = request->p->store;
    pw_instance_row row = { 0 }, after = { 0 };
    pw_bookmark_row *bookmarks = NULL;
    size_t count = 0, children = 0;
    *again = false;
    pawl_code code = pw_store_instance_get(store, id, false, &row, arena, err);
    if (code == PAWL_OK && row.status != PW_SUSPENDED)
        code = pw_store_bookmarks(store, id, true, &bookmarks, &count, arena, err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++) {
        if (bookmarks[i].bookmark.kind != PW_BOOKMARK_CHILD)
            continue;
        children++;
        code = wait_with_children(request, bookmarks[i].bookmark.key, err);
        if (code == PAWL_OK || code == PAWL_NOT_FOUND)
            code = look_for_rows(request, id, bookmarks[i].bookmark.key, code == PAWL_OK, again,
                                 arena, err);
        else if (code == PAWL_BUSY && !atomic_load(&request->p->closing))
            code = PAWL_OK; /* another node's: this process knows no more */
    }
    if (code != PAWL_OK || children == 0)
        return code;
    code = wait_for_one(request, id, err); /* it may hear of an end just now */
    if (code == PAWL_OK)
        code = pw_store_instance_get(store, id, false, &after, arena, err);
    *again = code == PAWL_OK && (*again || after.token != row.token);
    return code;
}

/* One that waits for a child is not settled before the child is. Recursion is bounded by how deep
 * workflows may run each other. */
static pawl_code wait_with_children(const wait_request *request, pw_str id, pawl_error *err)
{
    pawl_code code;
    bool again = false;
    do {
        code = wait_for_one(request, id, err);
        if (code != PAWL_OK || request->kind == PW_WATCH_END)
            return code;
        pw_arena arena;
        pw_arena_init(&arena, 0);
        code = wait_for_children(request, id, &again, &arena, err);
        pw_arena_done(&arena);
    } while (code == PAWL_OK && again);
    return code;
}

pawl_code pawl_wait(pawl *p, const char *id, pawl_wait_for what, uint64_t timeout_ms, char **out,
                    pawl_error *err)
{
    static const pw_watch_kind kinds[] = { [PAWL_WAIT_END] = PW_WATCH_END,
                                           [PAWL_WAIT_SETTLED] = PW_WATCH_SETTLED,
                                           [PAWL_WAIT_IDLE] = PW_WATCH_IDLE };
    pw_str instance;
    pawl_code code = pw_engine_may_write(p, err);
    if (code == PAWL_OK)
        code = check_id(&instance, id, err);
    if (code != PAWL_OK)
        return code;
    if ((unsigned)what >= PW_LENGTH(kinds))
        return pw_fail(err, PAWL_INVALID, "wait: what to wait for is none of pawl_wait_for");
    uint64_t now = pw_monotonic_ns();
    bool endless = timeout_ms == 0 || timeout_ms > (UINT64_MAX - now) / 1000000u;
    const wait_request request = { .p = p,
                                   .kind = kinds[what],
                                   .once = timeout_ms == 0,
                                   .deadline_ns =
                                       endless ? UINT64_MAX : now + timeout_ms * 1000000u };
    code = wait_with_children(&request, instance, err);
    return code == PAWL_OK && out ? pawl_show(p, id, out, err) : code;
}

pawl_code pawl_resume_with(pawl *p, const pawl_resume_options *options, const pawl_request *request, char **out, pawl_error *err)
{
    (void)p, (void)options, (void)request, (void)out;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

pawl_code pawl_change_with(pawl *p, const char *id, pawl_change change, const char *reason, const pawl_request *request, char **out, pawl_error *err)
{
    (void)p, (void)id, (void)change, (void)reason, (void)request, (void)out;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

pawl_code pawl_delete(pawl *p, const char *id, const pawl_request *request, pawl_error *err)
{
    (void)p, (void)id, (void)request;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}
