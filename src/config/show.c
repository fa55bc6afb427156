/* show.c - the settings for people and programs: as JSON, as a JSON Schema, and as the manual. */
#include <stdio.h>
#include "config/config_internal.h"
#include "base/json.h"

/* ---- what is set */

static void add_setting(pw_buf *buf, const pw_setting *setting)
{
    const pw_key *key = setting->key;
    pw_setting_value fallback = { .text = { "", 0 } };
    char wrong[PW_WRONG_SIZE];
    if (key->fallback[0] != '\0')
        PW_ASSERT(pw_value_read(&fallback, key, PW_GIVEN_WORD, pw_str_of(key->fallback), wrong));
    pw_buf path;
    pw_buf_init(&path, 0);
    pw_setting_path(&path, setting);
    buf->failed |= path.failed;
    if (!buf->failed) {
        pw_buf_text(buf, "{\"key\":");
        pw_json_write_string(buf, pw_buf_view(&path));
        pw_buf_text(buf, ",\"value\":");
        pw_value_json(buf, key, &setting->value);
        pw_buf_printf(buf, ",\"type\":\"%s\",\"default\":", pw_key_type_name(key->type));
        pw_value_json(buf, key, &fallback);
        pw_buf_printf(buf, ",\"source\":\"%s\",\"where\":", pw_source_name(setting->source));
        pw_json_write_string(buf, pw_str_of(pw_setting_where(setting)));
        pw_buf_printf(buf, ",\"reload\":%s,\"secret\":%s,\"used\":%s}",
                      key->effect == PW_KEY_LIVE ? "true" : "false",
                      key->type == PW_KEY_SECRET || key->type == PW_KEY_HIDDEN ? "true" : "false",
                      key->effect == PW_KEY_LATER ? "false" : "true");
    }
    pw_buf_done(&path);
}

PAWL_API pawl_code pawl_config_json(const pawl_config *config, char **out, pawl_error *err)
{
    if (!config || !out)
        return pw_fail(err, PAWL_INVALID, "pawl_config_json needs a configuration and a place");
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, "{\"settings\":[");
    (void)pthread_mutex_lock(config->lock);
    for (size_t i = 0; i < config->count; i++) {
        if (i > 0)
            pw_buf_char(&buf, ',');
        add_setting(&buf, &config->settings[i]);
    }
    (void)pthread_mutex_unlock(config->lock);
    pw_buf_text(&buf, "]}");
    char *text = pw_buf_take(&buf);
    if (!text)
        return pw_no_memory(err);
    *out = text;
    return PAWL_OK;
}

/* ---- the schema: sections nest as the paths do, which the table keeps together */

static void add_default(pw_buf *buf, const pw_key *key)
{
    if (pw_key_choices(key->type) && key->fallback[0] == '\0')
        return; /* it differs by the name in the key */
    pw_setting_value value = { .text = { "", 0 } };
    char wrong[PW_WRONG_SIZE];
    if (key->fallback[0] != '\0')
        PW_ASSERT(pw_value_read(&value, key, PW_GIVEN_WORD, pw_str_of(key->fallback), wrong));
    pw_buf_text(buf, ",\"default\":");
    pw_value_json(buf, key, &value);
}

static void add_choices(pw_buf *buf, const char *choices)
{
    pw_buf_text(buf, "\"enum\":[\"");
    for (const char *at = choices; *at; at++) {
        if (*at == '|')
            pw_buf_text(buf, "\",\"");
        else
            pw_buf_char(buf, *at);
    }
    pw_buf_text(buf, "\"]");
}

static void add_type(pw_buf *buf, const pw_key *key)
{
    const unsigned long long least = key->least, most = key->most;
    switch (key->type) {
    case PW_KEY_DURATION:
        pw_buf_text(buf, "\"type\":\"string\",\"pattern\":\"^(([0-9]+\\\\.)?[0-9]{2}:[0-9]{2}:[0-9]"
                         "{2}(\\\\.[0-9]+)?"
                         "|P[0-9.WDTHMS]+|([0-9]+(\\\\.[0-9]+)?(ms|s|m|h|d))+)$\"");
        return;
    case PW_KEY_COUNT:
        pw_buf_printf(buf, "\"type\":\"integer\",\"minimum\":%llu,\"maximum\":%llu", least, most);
        return;
    case PW_KEY_FLAG:
        pw_buf_text(buf, "\"type\":\"boolean\"");
        return;
    case PW_KEY_STRING:
    case PW_KEY_LEVELS:
    case PW_KEY_SECRET:
    case PW_KEY_HIDDEN:
        pw_buf_printf(buf, "\"type\":\"string\",\"maxLength\":%llu", most);
        return;
    case PW_KEY_ADDRESSES:
        pw_buf_text(
            buf, "\"type\":[\"string\",\"array\"],\"items\":{\"type\":\"string\"},\"minItems\":1");
        return;
    case PW_KEY_BYTES:
        pw_buf_printf(buf,
                      "\"type\":[\"integer\",\"string\"],\"minimum\":%llu,\"maximum\":%llu,"
                      "\"pattern\":\"^[0-9]+(KiB|MiB|GiB)?$\"",
                      least, most);
        return;
    case PW_KEY_RATE:
        pw_buf_printf(buf,
                      "\"type\":[\"number\",\"string\"],\"minimum\":%llu,\"maximum\":%llu,"
                      "\"pattern\":\"^[0-9.]+(/[smh])?$\"",
                      least, most);
        return;
    case PW_KEY_LIST:
        pw_buf_text(buf, "\"type\":[\"string\",\"array\"],\"items\":{\"type\":\"string\"}");
        return;
    case PW_KEY_OUTCOME:
    case PW_KEY_FORMAT:
    case PW_KEY_SINK:
    case PW_KEY_MODE:
    case PW_KEY_DECISION:
        add_choices(buf, pw_key_choices(key->type));
        return;
    }
}

static void add_property(pw_buf *buf, const pw_key *key)
{
    pw_buf range;
    pw_buf_init(&range, 0);
    pw_buf_text(&range, key->words);
    pw_buf_text(&range, " It is ");
    pw_value_range(&range, key);
    pw_buf_char(&range, '.');
    buf->failed |= range.failed;
    pw_buf_char(buf, '{');
    add_type(buf, key);
    add_default(buf, key);
    pw_buf_text(buf, ",\"description\":");
    if (!range.failed)
        pw_json_write_string(buf, pw_buf_view(&range));
    pw_buf_char(buf, '}');
    pw_buf_done(&range);
}

/* The part of a path at a depth; empty: it is not as deep. */
static pw_str part_of(const char *path, unsigned depth)
{
    for (; depth > 0 && path; depth--) {
        path = strchr(path, ':');
        path = path ? path + 1 : NULL;
    }
    if (!path)
        return (pw_str){ "", 0 };
    const char *colon = strchr(path, ':');
    return (pw_str){ path, colon ? (size_t)(colon - path) : strlen(path) };
}

/* The same section up to `depth`. */
static bool same_section(const pw_key *a, const pw_key *b, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        if (!pw_str_eq(part_of(a->path, i), part_of(b->path, i)))
            return false;
    return true;
}

/* The section of keys[0..count) at this depth. */
static void add_section(pw_buf *buf, const pw_key *keys, size_t count, unsigned depth)
{
    const bool names = pw_str_is(part_of(keys[0].path, depth), "*");
    pw_buf_text(buf, names ? "\"additionalProperties\":"
                           : "\"additionalProperties\":false,\"properties\":{");
    if (depth == 0)
        pw_buf_text(buf, "\"$schema\":{\"type\":\"string\"}");
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && same_section(&keys[i], &keys[end], depth + 1);)
            end++;
        if (!names) {
            if (i > 0 || depth == 0)
                pw_buf_char(buf, ',');
            pw_json_write_string(buf, part_of(keys[i].path, depth));
            pw_buf_char(buf, ':');
        }
        if (part_of(keys[i].path, depth + 1).len == 0) {
            add_property(buf, &keys[i]);
            continue;
        }
        pw_buf_text(buf, "{\"type\":[\"object\",\"null\"],");
        add_section(buf, keys + i, end - i, depth + 1); /* three deep: the table's paths */
        pw_buf_char(buf, '}');
    }
    if (!names)
        pw_buf_char(buf, '}');
}

static char *make_schema(void)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
                      "\"title\":\"Configuration of pawl\",\"type\":\"object\",");
    add_section(&buf, pw_keys, pw_key_count, 0);
    pw_buf_char(&buf, '}');
    return pw_buf_take(&buf);
}

PAWL_API const char *pawl_config_schema(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char *schema; /* made once, for as long as the process */
    (void)pthread_mutex_lock(&lock);
    if (!schema)
        schema = make_schema();
    const char *text =
        schema ? schema : "{}"; /* no memory: anything goes; the next call tries again */
    (void)pthread_mutex_unlock(&lock);
    return text;
}

/* ---- the manual */

static const char manual_head[] =
    "# Configuration\n"
    "\n"
    "This page is printed by `pawl config --manual`, from the table that the program checks "
    "settings with.\n"
    "\n"
    "A setting has a key, a path as in `WorkflowResilience:Retry:MaxRetryAttempts`. It comes from\n"
    "\n"
    "1. a flag: `--set KEY=VALUE` of `pawl serve` and `pawl config`, or an option that stands for "
    "a key (`--listen`);\n"
    "2. else the environment: the key with `__` for each colon, as in "
    "`WorkflowResilience__Retry__MaxRetryAttempts=5`;\n"
    "3. else the file that `--config FILE` names, YAML or JSON, in which each part of the path is "
    "a section;\n"
    "4. else its default.\n"
    "\n"
    "`pawl config` prints the value of each key and where it comes from; `pawl config --schema` "
    "prints a JSON Schema of the\n"
    "file, for editors. [dist/pawl.yaml](../dist/pawl.yaml) is an example.\n"
    "\n"
    "Everything is checked before anything starts. An unknown key is refused, and the nearest "
    "known one named; so is a value of\n"
    "another type or outside its range. Each message says the key, the value, where it stands and "
    "what would be right. Upper and\n"
    "lower case count. A file is at most 1 MiB, nested 16 deep; YAML has no tags, anchors or "
    "second documents here, and no name\n"
    "stands twice in a section. A section without keys is allowed, a key without a value is not.\n"
    "\n"
    "| type | written |\n"
    "|---|---|\n"
    "| duration | text: `[d.]hh:mm:ss[.fff]` (`00:00:30`, `1.00:00:00`), ISO 8601 (`PT30S`, "
    "`P90D`; no months or years), or short (`250ms`, `30s`, `5m`, `1h30m`, `90d`) |\n"
    "| count | a whole number |\n"
    "| flag | `true` or `false` |\n"
    "| string | text |\n"
    "| secret | text; where it is shown, `***` stands for the password of a URI |\n"
    "| addresses | `HOST:PORT` or `[IPV6]:PORT`; several as a list, or with commas |\n"
    "| bytes | a whole number, or text with a unit: `64KiB`, `16MiB`, `1GiB` |\n"
    "| rate | a number a second, or text with a unit: `90/m`, `5/h` |\n"
    "| list | texts, as a list or with commas |\n"
    "| choice | one of some words |\n"
    "\n"
    "A number in a file is a number, not text; in the environment and in flags everything is "
    "text.\n"
    "\n"
    "*Reload* says what `SIGHUP` changes while `pawl serve` runs; other changes are named, and "
    "take effect at the next start. Keys\n"
    "marked *later* are checked, and have no effect yet: the service that reads them comes with a "
    "later release.\n";

static void add_row(pw_buf *buf, const pw_key *key, pw_str section)
{
    pw_buf_printf(buf, "| `%s` | %s | ", key->path + section.len + 1, pw_key_type_name(key->type));
    if (key->fallback[0] != '\0')
        pw_buf_printf(buf, "`%s`", key->fallback);
    pw_buf_text(buf, " | ");
    pw_value_range(buf, key);
    pw_buf_printf(buf, " | %s | %s |\n",
                  key->effect == PW_KEY_LIVE    ? "yes"
                  : key->effect == PW_KEY_LATER ? "*later*"
                                                : "",
                  key->words);
}

PAWL_API pawl_code pawl_config_manual(char **out, pawl_error *err)
{
    if (!out)
        return pw_fail(err, PAWL_INVALID, "pawl_config_manual needs a place for the text");
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, manual_head);
    pw_str section = { "", 0 };
    for (size_t i = 0; i < pw_key_count; i++) {
        const char *path = pw_keys[i].path;
        pw_str own = { path, (size_t)(strrchr(path, ':') - path) };
        if (!pw_str_eq(own, section)) {
            section = own;
            pw_buf_printf(&buf, "\n## " PW_FMT "\n\n", PW_ARG(section));
            pw_buf_text(
                &buf,
                "| key | type | default | range | reload | what |\n|---|---|---|---|---|---|\n");
        }
        add_row(&buf, &pw_keys[i], section);
    }
    char *text = pw_buf_take(&buf);
    if (!text)
        return pw_no_memory(err);
    *out = text;
    return PAWL_OK;
}
