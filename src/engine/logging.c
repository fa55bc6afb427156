/* logging.c - the log of the process, for who uses the library (watch/log.h has it). */
#include "engine/engine.h"
#include "base/json.h"

enum { FIELDS_TEXT_MAX = 4096, NAME_MAX_LENGTH = 40 };

static pawl_code read_format(pw_log_format *out, const char *text, pawl_error *err)
{
    static const struct {
        const char *word;
        pw_log_format format;
    } formats[] = { { "auto", PW_LOG_AUTO }, { "json", PW_LOG_JSON }, { "human", PW_LOG_HUMAN }, { "journal", PW_LOG_JOURNAL } };
    for (size_t i = 0; i < PW_LENGTH(formats); i++) {
        if (strcmp(text ? text : "auto", formats[i].word) != 0)
            continue;
        *out = formats[i].format;
        return PAWL_OK;
    }
    return pw_fail(err, PAWL_INVALID, "'%.40s' is no format of the log: auto, json, human and journal are", text);
}

pawl_code pawl_logging_start(const pawl_logging *given, pawl_error *err)
{
    pawl_logging options;
    pawl_code code = pw_options_take(&options, sizeof options, given, false, "logging", err);
    pw_log_format format = PW_LOG_AUTO;
    if (code == PAWL_OK)
        code = read_format(&format, options.format, err);
    if (code != PAWL_OK)
        return code;
    const pw_log_options how = { .levels = options.level,
                                 .format = format,
                                 .fd = options.fd ? options.fd : 2,
                                 .on_line = options.on_line,
                                 .context = options.context,
                                 .journal = options.journal };
    return pw_log_start(&how, err);
}

pawl_code pawl_logging_level(const char *level, pawl_error *err)
{
    return level ? pw_log_set_levels(level, err) : pw_fail(err, PAWL_INVALID, "level is NULL");
}

const char *pawl_logging_levels(void)
{
    static _Thread_local char text[PW_LOG_LEVELS_MAX];
    pw_log_levels(text);
    return text;
}

void pawl_logging_stop(void)
{
    pw_log_stop();
}

/* ------------------------------------------------------------------ a line of the host's own */

/* What the line itself has is not said twice, and a name is a word. */
static bool is_name(pw_str name)
{
    static const char *const taken[] = { "time",     "level",       "component", "event", "message",
                                         "instance", "correlation", "trace",     "cut" };
    for (size_t i = 0; i < PW_LENGTH(taken); i++)
        if (pw_str_is(name, taken[i]))
            return false;
    for (size_t i = 0; i < name.len; i++) {
        const char c = name.ptr[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '.' || c == '-')))
            return false;
    }
    return name.len > 0 && name.len < NAME_MAX_LENGTH;
}

static bool read_field(pw_log_field *out, pw_member member, pw_arena *arena)
{
    char *name = is_name(member.key) ? pw_arena_alloc(arena, member.key.len + 1) : NULL;
    if (!name)
        return false;
    memcpy(name, member.key.ptr, member.key.len);
    name[member.key.len] = '\0';
    *out = (pw_log_field){ .name = name };
    if (pw_is(member.value, PW_TRUE) || pw_is(member.value, PW_FALSE)) {
        out->type = PW_LOG_BOOL;
        out->number = pw_truthy(member.value);
    } else if (pw_is(member.value, PW_NUMBER) && member.value.form == PW_FORM_INT) {
        out->type = PW_LOG_NUMBER;
        out->number = member.value.as.integer;
    } else if (pw_is(member.value, PW_STRING)) {
        out->text = pw_text(member.value);
    } else { /* as it is written */
        out->text = pw_json_text(arena, member.value, PW_JSON_COMPACT);
    }
    return out->text.ptr || out->type != PW_LOG_TEXT;
}

size_t pw_fields_read(pw_log_field out[PW_FIELDS_MAX], const char *json, pw_arena *arena)
{
    pw_value object = pw_null();
    size_t count = 0;
    const pw_json_limits limits = { .bytes = FIELDS_TEXT_MAX };
    if (!json || pw_json_parse(&object, pw_str_of(json), &limits, arena, NULL) != PAWL_OK || !pw_is(object, PW_OBJECT))
        return 0;
    for (uint32_t i = 0; i < object.count && count < PW_FIELDS_MAX; i++)
        count += read_field(&out[count], pw_members(object)[i], arena);
    return count;
}

int pawl_logging_wants(const char *level, const char *component)
{
    pw_log_level wanted;
    return level && component && pw_log_level_of(&wanted, pw_str_of(level)) && pw_log_wants(wanted, component);
}

void pawl_logging_line(const char *level, const char *component, const char *event, const char *instance, const char *message,
                       const char *fields)
{
    pw_log_level wanted;
    if (!event || !pawl_logging_wants(level, component) || !pw_log_level_of(&wanted, pw_str_of(level)))
        return;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_log_field list[PW_FIELDS_MAX];
    const pw_log_line line = { .level = wanted,
                               .component = component,
                               .event = event,
                               .instance = pw_str_of(instance),
                               .fields = list,
                               .field_count = pw_fields_read(list, fields, &arena) };
    pw_log(&line, "%s", message ? message : "");
    pw_arena_done(&arena);
}
