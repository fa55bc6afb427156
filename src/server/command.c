/* command.c - a command as JSON becomes one call of the API, and what comes of it JSON again.
 *
 * The form in which commands travel between processes: {"command": NAME, ...members} gives
 * {"ok": ...} or {"error": {"code", "reason", "message"}}, where documents are checked with "findings"
 * beside it. A member that the command does not know is refused: a misspelt "vresion" must not start the
 * newest version. Nothing here decides anything; what a command means is said in pawl.h. The commands
 * themselves are in command_*.c, each with what it knows and who may ask for it.
 *
 * A command of no instance that changes something remembers its idempotency key before it is carried
 * out, with a digest of itself: under the same key nothing else can be asked. Each of them may be carried
 * out again without a second effect, and is. */
#include <stdio.h>
#include "server/command.h"
#include "base/digest.h"
#include "base/moment.h"

static const pw_cmd_table *const tables[] = {
    &pw_commands_instances, &pw_commands_actions, &pw_commands_definitions, &pw_commands_people,
    &pw_commands_jobs,      &pw_commands_incidents, &pw_commands_bulk,        &pw_commands_letters,
    &pw_commands_store,
};

static const char *const request_members[] = { "actor",   "groups",      "restricted",  "idempotencyKey",
                                               "ifToken", "correlation", "traceparent" };

/* ---- which commands there are */

static const pw_cmd_entry *find(pw_str name)
{
    for (size_t t = 0; t < PW_LENGTH(tables); t++)
        for (size_t i = 0; i < tables[t]->count; i++)
            if (pw_str_is(name, tables[t]->entries[i].about.name))
                return &tables[t]->entries[i];
    return NULL;
}

const pw_command_about *pw_command_find(pw_str name)
{
    const pw_cmd_entry *entry = find(name);
    return entry ? &entry->about : NULL;
}

const pw_command_about *pw_command_at(size_t at)
{
    for (size_t t = 0; t < PW_LENGTH(tables); at -= tables[t++]->count)
        if (at < tables[t]->count)
            return &tables[t]->entries[at].about;
    return NULL;
}

bool pw_command_request_member(pw_str name)
{
    for (size_t i = 0; i < PW_LENGTH(request_members); i++)
        if (pw_str_is(name, request_members[i]))
            return true;
    return false;
}

/* ---- members */

void pw_cmd_refuse(pw_cmd *c, pawl_code code, const char *format, ...)
{
    if (c->mistake.code != PAWL_OK)
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(c->mistake.message, sizeof c->mistake.message, format, arguments);
    va_end(arguments);
    c->mistake.code = code;
}

pawl_code pw_cmd_read(pw_cmd *c, pawl_error *err)
{
    if (c->mistake.code != PAWL_OK && err)
        *err = c->mistake;
    return c->mistake.code;
}

/* True: it is there and no null; `type` PW_NONE: any. */
static bool member(pw_cmd *c, const char *name, pw_type type, const char *what, pw_value *out)
{
    *out = pw_get_lit(c->request, name);
    if (pw_is(*out, PW_NONE) || pw_is(*out, PW_NULL))
        return false;
    if (type != PW_NONE && !pw_is(*out, type)) {
        pw_cmd_refuse(c, PAWL_INVALID, "'%s' must be %s, not %s", name, what, pw_type_name(*out));
        return false;
    }
    return true;
}

/* NULL would mean: not given. */
static const char *copy(pw_cmd *c, const char *name, pw_str text)
{
    if (text.len && memchr(text.ptr, '\0', text.len)) {
        pw_cmd_refuse(c, PAWL_INVALID, "'%s' holds a NUL character", name);
        return NULL;
    }
    pw_str held = pw_arena_str(&c->arena, text);
    if (!held.ptr)
        pw_cmd_refuse(c, PAWL_NO_MEMORY, "out of memory");
    return held.ptr;
}

const char *pw_cmd_text(pw_cmd *c, const char *name)
{
    pw_value v;
    return member(c, name, PW_STRING, "a string", &v) ? copy(c, name, pw_text(v)) : NULL;
}

const char *pw_cmd_needed(pw_cmd *c, const char *name)
{
    const char *text = pw_cmd_text(c, name);
    if (!text)
        pw_cmd_refuse(c, PAWL_INVALID, "'%s' is missing", name);
    return text;
}

static const char *json_of(pw_cmd *c, pw_value v)
{
    const char *text = pw_json_text(&c->arena, v, PW_JSON_COMPACT).ptr;
    if (!text)
        pw_cmd_refuse(c, PAWL_NO_MEMORY, "out of memory");
    return text;
}

const char *pw_cmd_json(pw_cmd *c, const char *name)
{
    pw_value v = pw_get_lit(c->request, name);
    return pw_is(v, PW_NONE) ? NULL : json_of(c, v);
}

const char *pw_cmd_typed(pw_cmd *c, const char *name, pw_type type)
{
    pw_value v;
    return member(c, name, type, type == PW_ARRAY ? "an array" : "an object", &v) ? json_of(c, v) : NULL;
}

uint64_t pw_cmd_number(pw_cmd *c, const char *name, uint64_t most)
{
    pw_value v = pw_get_lit(c->request, name);
    int64_t n = 0;
    if (pw_is(v, PW_NONE) || pw_is(v, PW_NULL))
        return 0;
    if (pw_is(v, PW_NUMBER) && pw_integer(v, &n) && n >= 0 && (uint64_t)n <= most)
        return (uint64_t)n;
    pw_cmd_refuse(c, PAWL_INVALID, "'%s' must be a whole number from 0 to %llu", name, (unsigned long long)most);
    return 0;
}

double pw_cmd_real(pw_cmd *c, const char *name)
{
    pw_value v;
    if (!member(c, name, PW_NUMBER, "a number", &v))
        return 0;
    if (pw_number(v) < 0)
        pw_cmd_refuse(c, PAWL_INVALID, "'%s' must not be negative", name);
    return pw_number(v);
}

bool pw_cmd_flag(pw_cmd *c, const char *name)
{
    pw_value v = pw_get_lit(c->request, name);
    if (!pw_is(v, PW_NONE) && !pw_is(v, PW_NULL) && !pw_is(v, PW_TRUE) && !pw_is(v, PW_FALSE))
        pw_cmd_refuse(c, PAWL_INVALID, "'%s' must be true or false, not %s", name, pw_type_name(v));
    return pw_is(v, PW_TRUE);
}

int64_t pw_cmd_moment(pw_cmd *c, const char *name)
{
    pw_value v;
    int64_t at = 0;
    pawl_error err = { .code = PAWL_OK };
    if (!member(c, name, PW_STRING, "a time as in RFC 3339", &v))
        return 0;
    if (pw_moment_parse(&at, pw_text(v), &err) != PAWL_OK)
        pw_cmd_refuse(c, PAWL_INVALID, "'%s': %s", name, err.message);
    return at;
}

const char *const *pw_cmd_texts(pw_cmd *c, const char *name, size_t *count)
{
    pw_value v;
    *count = 0;
    if (!member(c, name, PW_ARRAY, "an array of strings", &v) || v.count == 0)
        return NULL;
    const char **texts = PW_NEW_ARRAY(&c->arena, const char *, v.count);
    if (!texts) {
        pw_cmd_refuse(c, PAWL_NO_MEMORY, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < v.count; i++) {
        if (!pw_is(pw_item(v, i), PW_STRING)) {
            pw_cmd_refuse(c, PAWL_INVALID, "'%s' must be an array of strings; item %zu is %s", name, i + 1,
                          pw_type_name(pw_item(v, i)));
            return NULL;
        }
        texts[i] = copy(c, name, pw_text(pw_item(v, i)));
        if (!texts[i])
            return NULL;
    }
    *count = v.count;
    return texts;
}

static bool knows(const pw_cmd_entry *entry, pw_str name)
{
    if (pw_str_is(name, "command") || pw_command_request_member(name))
        return true;
    for (size_t m = 0; m < PW_CMD_MEMBERS && entry->members[m]; m++)
        if (pw_str_is(name, entry->members[m]))
            return true;
    return false;
}

static pawl_code refuse_unknown_members(const pw_cmd *c, const pw_cmd_entry *entry, pawl_error *err)
{
    const pw_member *members = pw_members(c->request);
    for (uint32_t i = 0; i < c->request.count; i++)
        if (!knows(entry, members[i].key))
            return pw_fail(err, PAWL_INVALID, "'%s' knows no member '" PW_FMT "'", entry->about.name,
                           PW_ARG(members[i].key));
    return PAWL_OK;
}

static pawl_code read_request(pw_cmd *c, pawl_error *err)
{
    c->asked = (pawl_request){
        .struct_size = sizeof c->asked,
        .actor = pw_cmd_text(c, "actor"),
        .restricted = pw_cmd_flag(c, "restricted"),
        .idempotency_key = pw_cmd_text(c, "idempotencyKey"),
        .if_token = pw_cmd_number(c, "ifToken", INT64_MAX),
        .correlation = pw_cmd_text(c, "correlation"),
        .trace = pw_cmd_text(c, "traceparent"),
    };
    c->asked.groups = pw_cmd_texts(c, "groups", &c->asked.group_count);
    return pw_cmd_read(c, err);
}

/* ---- carrying out */

/* The key is remembered with what is asked for under it. */
static pawl_code remember(pw_cmd *c, const pw_cmd_entry *entry, pawl_error *err)
{
    const pw_command_about *about = &entry->about;
    if (entry->once && c->asked.idempotency_key)
        return pw_fail(err, PAWL_INVALID, "'%s' knows no idempotencyKey: its answer cannot be given twice", about->name);
    bool elsewhere = about->scope == PW_SCOPE_INSTANCE || about->scope == PW_SCOPE_JOB || strcmp(about->name, "start") == 0;
    if (!about->changes || elsewhere || !c->asked.idempotency_key)
        return PAWL_OK; /* the instance remembers it, or there is nothing to remember */
    pw_value bare = c->request;
    for (size_t i = 0; i < PW_LENGTH(request_members); i++)
        bare = pw_without(&c->arena, bare, pw_str_of(request_members[i]));
    pw_str text = pw_json_text(&c->arena, bare, PW_JSON_CANONICAL);
    if (!text.ptr)
        return pw_no_memory(err);
    pw_digest digest = pw_digest_of_text(text);
    char hex[PW_DIGEST_HEX_SIZE];
    pw_digest_hex(hex, &digest);
    int seen = 0;
    return pawl_once(c->p, c->asked.actor, c->asked.idempotency_key, hex, &seen, err);
}

static pawl_code dispatch(pw_cmd *c, pw_str text, pawl_error *err)
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
    const pw_cmd_entry *entry = find(pw_text(name));
    if (!entry)
        return pw_fail(err, PAWL_INVALID, "no command '" PW_FMT "'", PW_ARG(pw_text(name)));
    code = refuse_unknown_members(c, entry, err);
    if (code == PAWL_OK)
        code = read_request(c, err);
    if (code == PAWL_OK)
        code = remember(c, entry, err);
    return code == PAWL_OK ? entry->run(c, err) : code;
}

/* ---- what comes of it */

pw_value pw_cmd_own(pw_cmd *c, char *text)
{
    pw_value v = text ? pw_string(&c->arena, pw_str_of(text)) : (pw_value){ 0 };
    pawl_free(text);
    return v;
}

pawl_code pw_cmd_result(pw_cmd *c, pw_value *out, pawl_error *err)
{
    return pw_json_parse(out, pw_str_of(c->result_text), &(pw_json_limits){ .bytes = SIZE_MAX }, &c->arena, err);
}

void pw_cmd_finding(void *cmd, const pawl_finding *finding)
{
    pw_cmd *c = cmd;
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

static void write_findings(pw_cmd *c, pw_buf *buf)
{
    if (c->findings.count == 0)
        return;
    pw_buf_text(buf, ",\"findings\":");
    pw_json_write(buf, pw_array_end(&c->findings), PW_JSON_COMPACT);
}

static void write_error(pawl_code code, const pawl_error *failed, pw_buf *buf)
{
    pw_str message = pw_str_of(failed->message);
    pw_buf_text(buf, "{\"error\":{\"code\":");
    pw_json_write_string(buf, pw_str_of(pawl_code_name(code)));
    if (failed->reason != PAWL_REASON_NONE) {
        pw_buf_text(buf, ",\"reason\":");
        pw_json_write_string(buf, pw_str_of(pawl_reason_name(failed->reason)));
    }
    pw_buf_text(buf, ",\"message\":");
    pw_json_write_string(buf, pw_utf8_valid(message) ? message : PW_LIT("not readable"));
    pw_buf_text(buf, "}");
}

static void write_answer(pw_cmd *c, pawl_code code, const pawl_error *failed, pw_buf *buf)
{
    if (code != PAWL_OK) {
        write_error(code, failed, buf);
    } else {
        pw_buf_text(buf, "{\"ok\":");
        if (c->result_text)
            pw_buf_text(buf, c->result_text);
        else
            pw_json_write(buf, c->result, PW_JSON_COMPACT);
    }
    write_findings(c, buf);
    pw_buf_text(buf, "}");
}

pawl_code pw_command_execute(pawl *p, pw_str request, pw_stop_fn stop, void *context, char **answer,
                             pawl_error *err)
{
    pw_cmd c = { .p = p, .stop = stop, .stop_context = context };
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
