/* sinks.c - where events are published, out of the settings Outbox:Sinks:NAME:... */
#include "config/config_internal.h"

static pawl_sink_options *sink_of(pawl_config *config, const char *name)
{
    for (size_t i = 0; i < config->sink_count; i++) {
        if (strcmp(config->sinks[i].name, name) == 0)
            return &config->sinks[i];
    }
    if (config->sink_count == PW_CONFIG_SINKS_MAX)
        return NULL; /* pw_config_sinks_wrong() says so */
    pawl_sink_options *sink = &config->sinks[config->sink_count++];
    *sink = (pawl_sink_options){ .struct_size = sizeof *sink, .name = name };
    return sink;
}

static void take(pawl_sink_options *sink, pw_str member, const pw_setting_value *value)
{
    const struct {
        const char *name;
        const char **text;
    } texts[] = {
        { "Type", &sink->type },     { "Types", &sink->types },       { "Sources", &sink->sources },
        { "Url", &sink->url },       { "Path", &sink->path },         { "Mode", &sink->mode },
        { "Secret", &sink->secret }, { "Headers", &sink->headers },   { "Subject", &sink->subject },
        { "User", &sink->user },     { "Password", &sink->password }, { "Token", &sink->token },
        { "Ca", &sink->ca },
    };
    for (size_t i = 0; i < PW_LENGTH(texts); i++) {
        if (pw_str_is(member, texts[i].name)) {
            *texts[i].text = value->text.len ? value->text.ptr : NULL;
            return;
        }
    }
    if (pw_str_is(member, "RotateBytes"))
        sink->rotate_bytes = value->number;
    else if (pw_str_is(member, "Keep"))
        sink->keep = (uint32_t)value->number;
    else if (pw_str_is(member, "Timeout"))
        sink->timeout_ms = value->number;
    else {
        bool last = pw_str_is(member, "MaxConcurrent");
        PW_ASSERT(last); /* a key that nobody reads */
        sink->at_once = (uint32_t)value->number;
    }
}

void pw_config_sinks(pawl_config *config)
{
    config->sink_count = 0;
    for (size_t i = pw_config_fixed(); i < config->count; i++) {
        const pw_setting *setting = &config->settings[i];
        pw_str member = pw_key_tail(setting->key);
        if (!pw_str_starts(pw_str_of(setting->key->path), PW_LIT("Outbox:Sinks:")))
            continue;
        pawl_sink_options *sink = sink_of(config, setting->name);
        if (sink)
            take(sink, (pw_str){ member.ptr + 1, member.len - 1 }, &setting->value);
    }
}

static bool good_name(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++) {
        const char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_' || c == '.'))
            return false;
    }
    return len <= 64; /* of the store's column */
}

const char *pw_config_sink_wrong(const pawl_config *config, const pw_setting *setting)
{
    if (!pw_str_starts(pw_str_of(setting->key->path), PW_LIT("Outbox:Sinks:")))
        return NULL;
    if (!good_name(setting->name))
        return "has a sink's name of other than 1 to 64 letters, digits, '-', '_', '.'";
    for (size_t i = 0; i < config->sink_count; i++) {
        if (strcmp(config->sinks[i].name, setting->name) == 0)
            return config->sinks[i].type ? NULL
                                         : "is nothing without the sink's Type: http, file or nats";
    }
    return "is of one sink too many: there are at most 32";
}
