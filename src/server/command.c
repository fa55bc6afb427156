/* command.c - a command as JSON becomes one call of the API, and what comes of it JSON again.
 *
 * The form in which commands travel between processes: {"command": NAME, ...members} gives
 * {"ok": ...} or {"error": {"code", "message"}}, for deploy with "findings" beside it. A member
 * that the command does not know is refused: a misspelt "vresion" must not start the newest
 * version. Nothing here decides anything; what a command means is said in pawl.h. */
#include "base/json.h"
#include "server/server.h"

enum { WAIT_SLICE_MS = 250 };

typedef struct command {
    pawl *p;
    pw_arena arena;
    pw_value request;
    pw_value result;   /* for "ok"; PW_NONE: result_text holds it */
    char *result_text; /* JSON of the API, to pawl_free() */
    pw_array_builder findings;
    pw_value warning; /* of start */
    pw_stop_fn stop;
    void *stop_context;
} command;

typedef struct handler {
    const char *name;
    const char *members[9]; /* that it knows, "command" aside; NULL ends them */
    pawl_code (*run)(command *c, pawl_error *err);
} handler;

/* ---- members */

/* A text member; NULL if it is absent or null. */
static pawl_code text_member(command *c, const char *name, const char **out, pawl_error *err)
{
    pw_value v = pw_get_lit(c->request, name);
    *out = NULL;
    if (pw_is(v, PW_NONE) || pw_is(v, PW_NULL))
        return PAWL_OK;
    if (!pw_is(v, PW_STRING))
        return pw_fail(err, PAWL_INVALID, "'%s' must be a string, not %s", name, pw_type_name(v));
    pw_str text = pw_text(v);
    if (memchr(text.ptr, '\0', text.len))
        return pw_fail(err, PAWL_INVALID, "'%s' holds a NUL character", name);
    *out = pw_arena_str(&c->arena, text).ptr;
    return *out ? PAWL_OK : pw_no_memory(err); /* NULL would mean: not given */
}

static pawl_code needed_text(command *c, const char *name, const char **out, pawl_error *err)
{
    pawl_code code = text_member(c, name, out, err);
    if (code == PAWL_OK && !*out)
        return pw_fail(err, PAWL_INVALID, "'%s' is missing", name);
    return code;
}

/* A member of any type as JSON text; NULL if it is absent. */
static pawl_code json_member(command *c, const char *name, const char **out, pawl_error *err)
{
    pw_value v = pw_get_lit(c->request, name);
    *out = NULL;
    if (pw_is(v, PW_NONE))
        return PAWL_OK;
    *out = pw_json_text(&c->arena, v, PW_JSON_COMPACT).ptr;
    return *out ? PAWL_OK : pw_no_memory(err);
}

static pawl_code number_member(command *c, const char *name, uint64_t most, uint64_t *out,
                               pawl_error *err)
{
    pw_value v = pw_get_lit(c->request, name);
    int64_t n = 0;
    *out = 0;
    if (pw_is(v, PW_NONE) || pw_is(v, PW_NULL))
        return PAWL_OK;
    if (!pw_is(v, PW_NUMBER) || !pw_integer(v, &n) || n < 0 || (uint64_t)n > most)
        return pw_fail(err, PAWL_INVALID, "'%s' must be a whole number from 0 to %llu", name,
                       (unsigned long long)most);
    *out = (uint64_t)n;
    return PAWL_OK;
}

static pawl_code refuse_unknown_members(const command *c, const handler *h, pawl_error *err)
{
    const pw_member *members = pw_members(c->request);
    for (uint32_t i = 0; i < c->request.count; i++) {
        bool known = pw_str_is(members[i].key, "command");
        for (size_t m = 0; h->members[m] && !known; m++)
            known = pw_str_is(members[i].key, h->members[m]);
        if (!known)
            return pw_fail(err, PAWL_INVALID, "'%s' knows no member '" PW_FMT "'", h->name,
                           PW_ARG(members[i].key));
    }
    return PAWL_OK;
}

/* ---- commands */

static pawl_code run_ping(command *c, pawl_error *err)
{
    (void)err;
    c->result = pw_object_of(
        &c->arena, (pw_member[]){ { PW_LIT("version"), pw_string_ref(pw_str_of(pawl_version())) } },
        1);
    return PAWL_OK;
}

static void collect_finding(void *context, const pawl_finding *finding)
{
    command *c = context;
    pw_arena *arena = &c->arena;
    pw_array_add(
        &c->findings,
        pw_object_of(
            arena,
            (pw_member[]){ { PW_LIT("line"), pw_int(finding->line) },
                           { PW_LIT("column"), pw_int(finding->column) },
                           { PW_LIT("error"), pw_bool(finding->is_error != 0) },
                           { PW_LIT("code"), pw_string_ref(pw_str_of(finding->code)) },
                           { PW_LIT("pointer"), pw_string(arena, pw_str_of(finding->pointer)) },
                           { PW_LIT("message"), pw_string(arena, pw_str_of(finding->message)) } },
            6));
}

static pawl_code run_deploy(command *c, pawl_error *err)
{
    pw_value text = pw_get_lit(c->request, "text");
    if (!pw_is(text, PW_STRING))
        return pw_fail(err, PAWL_INVALID, "'text' must be the definition, as a string");
    return pawl_deploy(c->p, pw_text(text).ptr, pw_text(text).len, collect_finding, c,
                       &c->result_text, err);
}

static void collect_warning(void *context, const char *message)
{
    command *c = context;
    c->warning = pw_string(&c->arena, pw_str_of(message));
}

static pawl_code run_start(command *c, pawl_error *err)
{
    pawl_start_options options = { .struct_size = sizeof options,
                                   .on_warning = collect_warning,
                                   .warning_context = c };
    char *id = NULL;
    int existed = 0;
    pawl_code code = needed_text(c, "name", &options.name, err);
    if (code == PAWL_OK)
        code = text_member(c, "version", &options.version, err);
    if (code == PAWL_OK)
        code = text_member(c, "key", &options.key, err);
    if (code == PAWL_OK)
        code = text_member(c, "correlation", &options.correlation, err);
    if (code == PAWL_OK)
        code = text_member(c, "actor", &options.actor, err);
    if (code == PAWL_OK)
        code = json_member(c, "input", &options.input, err);
    if (code == PAWL_OK)
        code = pawl_start(c->p, &options, &id, &existed, err);
    if (code != PAWL_OK)
        return code;
    pw_str copy = pw_arena_str(&c->arena, pw_str_of(id));
    pawl_free(id);
    c->result = pw_object_of(&c->arena,
                             (pw_member[]){ { PW_LIT("id"), pw_string_ref(copy) },
                                            { PW_LIT("existed"), pw_bool(existed != 0) },
                                            { PW_LIT("warning"), c->warning } },
                             3);
    return PAWL_OK;
}

static pawl_code only_id(command *c, const char *id)
{
    c->result =
        pw_object_of(&c->arena, (pw_member[]){ { PW_LIT("id"), pw_string_ref(pw_str_of(id)) } }, 1);
    return PAWL_OK;
}

static pawl_code run_resume(command *c, pawl_error *err)
{
    const char *id = NULL, *key = NULL, *data = NULL, *actor = NULL;
    pawl_code code = needed_text(c, "id", &id, err);
    if (code == PAWL_OK)
        code = needed_text(c, "key", &key, err);
    if (code == PAWL_OK)
        code = text_member(c, "actor", &actor, err);
    if (code == PAWL_OK)
        code = json_member(c, "data", &data, err);
    if (code == PAWL_OK)
        code = pawl_resume(c->p, id, key, data, actor, err);
    return code == PAWL_OK ? only_id(c, id) : code;
}

typedef pawl_code (*change_fn)(pawl *p, const char *id, const char *actor, const char *reason,
                               pawl_error *err);

static pawl_code run_change(command *c, change_fn change, pawl_error *err)
{
    const char *id = NULL, *actor = NULL, *reason = NULL;
    pawl_code code = needed_text(c, "id", &id, err);
    if (code == PAWL_OK)
        code = text_member(c, "actor", &actor, err);
    if (code == PAWL_OK)
        code = text_member(c, "reason", &reason, err);
    if (code == PAWL_OK)
        code = change(c->p, id, actor, reason, err);
    return code == PAWL_OK ? only_id(c, id) : code;
}

static pawl_code run_cancel(command *c, pawl_error *err)
{
    return run_change(c, pawl_cancel, err);
}

static pawl_code run_suspend(command *c, pawl_error *err)
{
    return run_change(c, pawl_suspend, err);
}

static pawl_code run_continue(command *c, pawl_error *err)
{
    return run_change(c, pawl_continue, err);
}

static pawl_code run_wait(command *c, pawl_error *err)
{
    static const struct {
        const char *name;
        pawl_wait_for what;
    } kinds[] = { { "end", PAWL_WAIT_END },
                  { "settled", PAWL_WAIT_SETTLED },
                  { "idle", PAWL_WAIT_IDLE } };
    const char *id = NULL, *word = NULL;
    uint64_t left_ms = 0;
    pawl_code code = needed_text(c, "id", &id, err);
    if (code == PAWL_OK)
        code = text_member(c, "for", &word, err);
    if (code == PAWL_OK)
        code = number_member(c, "timeoutMs", INT64_MAX, &left_ms, err);
    if (code != PAWL_OK)
        return code;
    size_t at = 0;
    while (word && at < PW_LENGTH(kinds) && strcmp(kinds[at].name, word) != 0)
        at++;
    if (at == PW_LENGTH(kinds))
        return pw_fail(err, PAWL_INVALID, "'for' is end, settled or idle, not '%s'", word);
    if (!c->stop)
        return pawl_wait(c->p, id, kinds[at].what, left_ms, &c->result_text, err);
    do {
        uint64_t slice_ms = left_ms < WAIT_SLICE_MS ? left_ms : WAIT_SLICE_MS;
        code = pawl_wait(c->p, id, kinds[at].what, slice_ms, &c->result_text, err);
        left_ms -= slice_ms;
    } while (code == PAWL_TIMEOUT && left_ms > 0 && !c->stop(c->stop_context));
    return code;
}

static pawl_code run_show(command *c, pawl_error *err)
{
    const char *id = NULL;
    pawl_code code = needed_text(c, "id", &id, err);
    return code == PAWL_OK ? pawl_show(c->p, id, &c->result_text, err) : code;
}

static pawl_code run_list(command *c, pawl_error *err)
{
    pawl_list_options options = { .struct_size = sizeof options };
    uint64_t limit = 0;
    pawl_code code = text_member(c, "status", &options.status, err);
    if (code == PAWL_OK)
        code = text_member(c, "name", &options.name, err);
    if (code == PAWL_OK)
        code = text_member(c, "parent", &options.parent, err);
    if (code == PAWL_OK)
        code = text_member(c, "after", &options.after, err);
    if (code == PAWL_OK)
        code = number_member(c, "limit", 1000, &limit, err);
    options.limit = (uint32_t)limit;
    options.schedules = pw_truthy(pw_get_lit(c->request, "schedules"));
    return code == PAWL_OK ? pawl_list(c->p, &options, &c->result_text, err) : code;
}

static pawl_code run_log(command *c, pawl_error *err)
{
    const char *id = NULL;
    uint64_t from = 0, limit = 0;
    pawl_code code = needed_text(c, "id", &id, err);
    if (code == PAWL_OK)
        code = number_member(c, "from", INT64_MAX, &from, err);
    if (code == PAWL_OK)
        code = number_member(c, "limit", 1000, &limit, err);
    if (code != PAWL_OK)
        return code;
    return pawl_log(c->p, id, from ? from : 1, (uint32_t)limit, &c->result_text, err);
}

static pawl_code run_publish(command *c, pawl_error *err)
{
    const char *events = NULL;
    pawl_publish_options options = { .struct_size = sizeof options };
    pawl_code code = json_member(c, "events", &events, err);
    if (code == PAWL_OK && !events)
        code = pw_fail(err, PAWL_INVALID, "'events' is missing: a CloudEvent, or an array of them");
    if (code == PAWL_OK)
        code = number_member(c, "ttlMs", INT64_MAX, &options.ttl_ms, err);
    if (code == PAWL_OK)
        code = text_member(c, "actor", &options.actor, err);
    return code == PAWL_OK ? pawl_publish(c->p, events, &options, &c->result_text, err) : code;
}

static pawl_code run_status(command *c, pawl_error *err)
{
    const char *name = NULL, *version = NULL, *status = NULL;
    pawl_code code = needed_text(c, "name", &name, err);
    if (code == PAWL_OK)
        code = needed_text(c, "version", &version, err);
    if (code == PAWL_OK)
        code = needed_text(c, "status", &status, err);
    if (code == PAWL_OK)
        code = pawl_definition_status(c->p, name, version, status, err);
    if (code == PAWL_OK)
        c->result = pw_object_of(
            &c->arena,
            (pw_member[]){ { PW_LIT("name"), pw_string_ref(pw_str_of(name)) },
                           { PW_LIT("version"), pw_string_ref(pw_str_of(version)) },
                           { PW_LIT("status"), pw_string_ref(pw_str_of(status)) } },
            3);
    return code;
}

static pawl_code run_definition(command *c, pawl_error *err)
{
    const char *name = NULL, *version = NULL;
    pawl_code code = needed_text(c, "name", &name, err);
    if (code == PAWL_OK)
        code = text_member(c, "version", &version, err);
    return code == PAWL_OK ? pawl_definition(c->p, name, version, &c->result_text, err) : code;
}

static pawl_code run_definitions(command *c, pawl_error *err)
{
    pawl_definitions_options options = { .struct_size = sizeof options };
    uint64_t limit = 0;
    pawl_code code = text_member(c, "name", &options.name, err);
    if (code == PAWL_OK)
        code = text_member(c, "after", &options.after, err);
    if (code == PAWL_OK)
        code = number_member(c, "limit", 1000, &limit, err);
    options.limit = (uint32_t)limit;
    return code == PAWL_OK ? pawl_definitions(c->p, &options, &c->result_text, err) : code;
}

static pawl_code run_schedules(command *c, pawl_error *err)
{
    pawl_list_options options = { .struct_size = sizeof options };
    uint64_t limit = 0;
    pawl_code code = text_member(c, "name", &options.name, err);
    if (code == PAWL_OK)
        code = text_member(c, "after", &options.after, err);
    if (code == PAWL_OK)
        code = number_member(c, "limit", 1000, &limit, err);
    options.limit = (uint32_t)limit;
    return code == PAWL_OK ? pawl_schedules(c->p, &options, &c->result_text, err) : code;
}

// clang-format off
static const handler handlers[] = {
    { "ping",     { NULL }, run_ping },
    { "deploy",   { "text" }, run_deploy },
    { "start",    { "name", "version", "input", "key", "correlation", "actor" }, run_start },
    { "resume",   { "id", "key", "data", "actor" }, run_resume },
    { "cancel",   { "id", "actor", "reason" }, run_cancel },
    { "suspend",  { "id", "actor", "reason" }, run_suspend },
    { "continue", { "id", "actor", "reason" }, run_continue },
    { "publish",  { "events", "ttlMs", "actor" }, run_publish },
    { "wait",     { "id", "for", "timeoutMs" }, run_wait },
    { "show",     { "id" }, run_show },
    { "list",     { "status", "name", "parent", "schedules", "after", "limit" }, run_list },
    { "log",      { "id", "from", "limit" }, run_log },
    { "status",   { "name", "version", "status" }, run_status },
    { "definition",  { "name", "version" }, run_definition },
    { "definitions", { "name", "after", "limit" }, run_definitions },
    { "schedules", { "name", "after", "limit" }, run_schedules },
};
// clang-format on

static pawl_code dispatch(command *c, pw_str text, pawl_error *err)
{
    pawl_code code = pw_json_parse(&c->request, text, NULL, &c->arena, err);
    if (code != PAWL_OK)
        return code;
    if (!pw_is(c->request, PW_OBJECT))
        return pw_fail(err, PAWL_INVALID, "a command is a JSON object, not %s",
                       pw_type_name(c->request));
    pw_value name = pw_get_lit(c->request, "command");
    if (!pw_is(name, PW_STRING))
        return pw_fail(err, PAWL_INVALID, "'command' must be a command's name, as a string");
    for (size_t i = 0; i < PW_LENGTH(handlers); i++) {
        if (!pw_str_is(pw_text(name), handlers[i].name))
            continue;
        code = refuse_unknown_members(c, &handlers[i], err);
        return code == PAWL_OK ? handlers[i].run(c, err) : code;
    }
    return pw_fail(err, PAWL_INVALID, "no command '" PW_FMT "'", PW_ARG(pw_text(name)));
}

/* ---- answers */

static void write_findings(command *c, pw_buf *buf)
{
    if (c->findings.count == 0)
        return;
    pw_buf_text(buf, ",\"findings\":");
    pw_json_write(buf, pw_array_end(&c->findings), PW_JSON_COMPACT);
}

static void write_answer(command *c, pawl_code code, const pawl_error *failed, pw_buf *buf)
{
    if (code == PAWL_OK) {
        pw_buf_text(buf, "{\"ok\":");
        if (c->result_text)
            pw_buf_text(buf, c->result_text);
        else
            pw_json_write(buf, c->result, PW_JSON_COMPACT);
    } else {
        pw_str message = pw_str_of(failed->message);
        pw_buf_text(buf, "{\"error\":{\"code\":");
        pw_json_write_string(buf, pw_str_of(pawl_code_name(code)));
        pw_buf_text(buf, ",\"message\":");
        pw_json_write_string(buf, pw_utf8_valid(message) ? message : PW_LIT("not readable"));
        pw_buf_text(buf, "}");
    }
    write_findings(c, buf);
    pw_buf_text(buf, "}");
}

pawl_code pw_command_execute(pawl *p, pw_str request, pw_stop_fn stop, void *context, char **answer,
                             pawl_error *err)
{
    command c = { .p = p, .stop = stop, .stop_context = context };
    pw_arena_init(&c.arena, 0);
    c.findings.arena = &c.arena;
    pawl_error failed = { .code = PAWL_OK };
    pawl_code code = dispatch(&c, request, &failed);
    pw_buf buf;
    pw_buf_init(&buf, 0);
    write_answer(&c, code, &failed, &buf);
    /* A value that did not fit into memory was left out on its way: no answer is better than half a
     * one. */
    char *text = c.arena.failed ? NULL : pw_buf_take(&buf);
    pw_buf_done(&buf);
    pawl_free(c.result_text);
    pw_arena_done(&c.arena);
    if (!text)
        return pw_no_memory(err);
    *answer = text;
    return PAWL_OK;
}

PAWL_API pawl_code pawl_command(pawl *p, const char *request, char **answer, pawl_error *err)
{
    if (!p || !request || !answer)
        return pw_fail(err, PAWL_INVALID, "pawl_command needs a pawl, a request and an answer");
    return pw_command_execute(p, pw_str_of(request), NULL, NULL, answer, err);
}
