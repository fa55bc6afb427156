/* config.c - the settings of a process, from where they come.
 *
 * A setting is its value and the source that gave it; a source that counts less cannot replace it,
 * whenever it comes. What a file or the environment says is taken whole or not at all: all of it is
 * read, every problem is told, and only without any are the values put in their places. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "config/config_internal.h"
#include "config/read.h"
#include "policy/fault.h"

/* ---- settings */

size_t pw_config_fixed(void)
{
    size_t count = 0;
    for (size_t i = 0; i < pw_key_count; i++)
        count += !pw_key_is_named(&pw_keys[i]);
    return count;
}

void pw_setting_done(pw_setting *setting)
{
    pw_free(setting->name);
    pw_free(setting->text);
    pw_free(setting->where);
    *setting = (pw_setting){ 0 };
}

bool pw_setting_copy(pw_setting *out, const pw_setting *setting)
{
    *out = *setting;
    out->name = setting->name ? pw_strdup(pw_str_of(setting->name)) : NULL;
    out->text = setting->text ? pw_strdup(setting->value.text) : NULL;
    out->where = setting->where ? pw_strdup(pw_str_of(setting->where)) : NULL;
    if (out->text)
        out->value.text.ptr = out->text;
    return (out->name || !setting->name) && (out->text || !setting->text) &&
           (out->where || !setting->where);
}

void pw_setting_path(pw_buf *buf, const pw_setting *setting)
{
    pw_buf_str(buf, pw_key_head(setting->key));
    if (!setting->name)
        return;
    pw_buf_text(buf, setting->name);
    pw_buf_str(buf, pw_key_tail(setting->key));
}

const char *pw_source_name(pawl_config_source source)
{
    switch (source) {
    case PAWL_CONFIG_DEFAULT:
        return "default";
    case PAWL_CONFIG_FILE:
        return "file";
    case PAWL_CONFIG_ENVIRONMENT:
        return "environment";
    case PAWL_CONFIG_FLAG:
        return "flag";
    }
    return "";
}

const char *pw_setting_where(const pw_setting *setting)
{
    return setting->where ? setting->where : pw_source_name(setting->source);
}

pw_setting *pw_config_find(const pawl_config *config, const pw_key *key, pw_str name)
{
    for (size_t i = 0; i < config->count; i++) {
        if (config->settings[i].key == key && pw_str_eq(pw_str_of(config->settings[i].name), name))
            return &config->settings[i];
    }
    return NULL;
}

PAWL_API pawl_code pawl_config_new(pawl_config **out, pawl_error *err)
{
    if (!out)
        return pw_fail(err, PAWL_INVALID, "pawl_config_new needs a place for the configuration");
    pawl_config *config = pw_zalloc(sizeof *config);
    if (!config)
        return pw_no_memory(err);
    config->size = pw_key_count;
    config->settings = pw_zalloc(config->size * sizeof *config->settings);
    config->lock = pw_alloc(sizeof *config->lock);
    if (!config->settings || !config->lock || pthread_mutex_init(config->lock, NULL) != 0) {
        pw_free(config->lock);
        pw_free(config->settings);
        pw_free(config);
        return pw_no_memory(err);
    }
    for (size_t i = 0; i < pw_key_count; i++) {
        if (pw_key_is_named(&pw_keys[i]))
            continue;
        pw_setting *setting = &config->settings[config->count++];
        char wrong[PW_WRONG_SIZE];
        setting->key = &pw_keys[i];
        if (pw_keys[i].fallback[0] == '\0')
            setting->value.text = (pw_str){ "", 0 };
        else
            PW_ASSERT(pw_value_read(&setting->value, setting->key, PW_GIVEN_WORD,
                                    pw_str_of(pw_keys[i].fallback), wrong));
    }
    pw_config_given(config);
    *out = config;
    return PAWL_OK;
}

PAWL_API void pawl_config_free(pawl_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->count; i++)
        pw_setting_done(&config->settings[i]);
    (void)pthread_mutex_destroy(config->lock);
    pw_free(config->lock);
    pw_free(config->settings);
    pw_free(config);
}

/* ---- taking what a source says */

typedef struct taking {
    pawl_config *config;
    pawl_config_source source;
    const char *name; /* of a file; else NULL */
    pawl_config_problem_fn on_problem;
    void *context;
    pw_arena arena;
    pw_setting *fresh; /* as many as entries, at most */
    size_t count;
    uint32_t problems;
    pawl_error first; /* of the problems */
} taking;

static pw_str where_of(taking *t, uint32_t line)
{
    if (!t->name)
        return pw_str_of(pw_source_name(t->source));
    return line > 0 ? pw_arena_printf(&t->arena, "%s:%u", t->name, line)
                    : pw_arena_str(&t->arena, pw_str_of(t->name));
}

/* Of a long value its beginning, in whole characters. */
static pw_str beginning(pw_str value)
{
    enum { SHOWN_MAX = 100 };
    if (value.len > SHOWN_MAX)
        value.len = pw_utf8_valid_length((pw_str){ value.ptr, SHOWN_MAX });
    return value;
}

static void tell(taking *t, pw_str path, pw_str shown, pw_str where, const char *message)
{
    shown = beginning(shown);
    if (t->problems++ == 0) {
        if (path.len == 0)
            (void)pw_fail(&t->first, PAWL_INVALID, PW_FMT ": %s", PW_ARG(where), message);
        else if (shown.len == 0)
            (void)pw_fail(&t->first, PAWL_INVALID, PW_FMT ": " PW_FMT ": %s", PW_ARG(where),
                          PW_ARG(path), message);
        else
            (void)pw_fail(&t->first, PAWL_INVALID, PW_FMT ": " PW_FMT ": '" PW_FMT "' %s",
                          PW_ARG(where), PW_ARG(path), PW_ARG(shown), message);
    }
    if (!t->on_problem)
        return;
    pw_str key = pw_arena_str(&t->arena, path), value = pw_arena_str(&t->arena, shown);
    t->on_problem(t->context, key.ptr, value.ptr, where.ptr, message);
}

static pw_str shown_of(taking *t, const pw_key *key, const pw_entry *entry)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_value_hide(&buf, key, entry->text);
    if (buf.failed) {
        pw_buf_done(&buf);
        (void)pw_arena_fail(&t->arena, false); /* jumps */
    }
    pw_str shown = pw_arena_str(&t->arena, pw_buf_view(&buf));
    pw_buf_done(&buf);
    return shown;
}

static void tell_unknown(taking *t, const pw_entry *entry, pw_str where)
{
    pw_str near = pw_key_near(entry->path, &t->arena), message;
    if (pw_key_is_section(entry->path))
        message = PW_LIT("is a section, and holds keys instead of a value");
    else if (near.len > 0)
        message = pw_arena_printf(&t->arena, "there is no such key; did you mean '" PW_FMT "'?",
                                  PW_ARG(near));
    else
        message = PW_LIT("there is no such key; `pawl config` lists them");
    tell(t, entry->path, (pw_str){ "", 0 }, where, message.ptr);
}

/* Twice in one file, as a path and as sections. The environment has each name once. */
static bool is_repeated(const taking *t, const pw_key *key, pw_str name)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->fresh[i].key == key && pw_str_eq(pw_str_of(t->fresh[i].name), name))
            return true;
    }
    return false;
}

/* Of a row its kind and class, too, must be some that there are. */
static bool read_value(pw_setting_value *out, const pw_key *key, pw_str name,
                       const pw_entry *entry, char wrong[PW_WRONG_SIZE])
{
    if (!pw_value_read(out, key, entry->given, entry->text, wrong))
        return false;
    pw_fault_policy policy = pw_fault_policy_default;
    pawl_error err;
    if (!pw_key_is_row(key) || pw_fault_policy_set(&policy, name, out->text, &err) == PAWL_OK)
        return true;
    (void)snprintf(wrong, PW_WRONG_SIZE, "%.*s", PW_WRONG_SIZE - 1, err.message);
    return false;
}

static void take_entry(taking *t, const pw_entry *entry)
{
    pw_str name, where = where_of(t, entry->line);
    const pw_key *key = pw_key_find(entry->path, &name);
    if (!key) {
        tell_unknown(t, entry, where);
        return;
    }
    if (is_repeated(t, key, name)) {
        tell(t, entry->path, (pw_str){ "", 0 }, where, "stands there twice");
        return;
    }
    char wrong[PW_WRONG_SIZE];
    pw_setting_value value;
    if (!read_value(&value, key, name, entry, wrong)) {
        tell(t, entry->path, shown_of(t, key, entry), where, wrong);
        return;
    }
    pw_setting *setting = &t->fresh[t->count++];
    *setting = (pw_setting){ .key = key, .value = value, .source = t->source };
    setting->name = name.len ? pw_strdup(name) : NULL;
    setting->text = value.text.len ? pw_strdup(value.text) : NULL;
    setting->where = t->name ? pw_strdup(where) : NULL;
    if ((name.len && !setting->name) || (value.text.len && !setting->text) ||
        (t->name && !setting->where))
        (void)pw_arena_fail(&t->arena, false); /* jumps */
    setting->value.text =
        setting->text ? (pw_str){ setting->text, value.text.len } : (pw_str){ "", 0 };
}

/* Room for all that is new, so that putting them in cannot fail. */
pawl_code pw_config_room(pawl_config *config, size_t more, pawl_error *err)
{
    if (config->count + more <= config->size)
        return PAWL_OK;
    size_t size = config->count + more + 16;
    pw_setting *settings = pw_realloc(config->settings, size * sizeof *settings);
    if (!settings)
        return pw_no_memory(err);
    config->settings = settings;
    config->size = size;
    return PAWL_OK;
}

/* So that lists and changes have an order: those of one section together, then by name. */
static bool is_before(const pw_setting *a, const pw_setting *b)
{
    if (!pw_str_eq(pw_key_head(a->key), pw_key_head(b->key)))
        return a->key < b->key;
    const int order = strcmp(a->name, b->name);
    return order < 0 || (order == 0 && a->key < b->key);
}

static void put(pawl_config *config, pw_setting *fresh)
{
    pw_setting *old = pw_config_find(config, fresh->key, pw_str_of(fresh->name));
    if (old && old->source > fresh->source)
        return; /* what counts more was there first */
    if (old) {
        pw_setting_done(old);
        *old = *fresh;
    } else {
        size_t at = config->count++;
        for (; at > pw_config_fixed() && !is_before(&config->settings[at - 1], fresh); at--)
            config->settings[at] = config->settings[at - 1];
        config->settings[at] = *fresh;
    }
    *fresh = (pw_setting){ 0 };
}

/* A value that stays is not touched: texts that were given out last as long as the configuration.
 */
static void replace(pawl_config *config, pw_setting *fresh)
{
    pw_setting *old = pw_config_find(config, fresh->key, pw_str_of(fresh->name));
    if (old && pw_value_equal(&old->value, &fresh->value)) {
        char *where = old->where;
        old->where = fresh->where;
        fresh->where = where; /* to be released with it */
        old->source = fresh->source;
        return;
    }
    if (old)
        old->source = PAWL_CONFIG_DEFAULT;
    put(config, fresh);
}

void pw_config_replace(pawl_config *config, pw_setting *settings, size_t count)
{
    while (config->count > pw_config_fixed())
        pw_setting_done(&config->settings[--config->count]);
    for (size_t i = 0; i < count; i++)
        replace(config, &settings[i]);
}

static pawl_code put_all(taking *t, pawl_error *err)
{
    (void)pthread_mutex_lock(t->config->lock);
    pawl_code code = pw_config_room(t->config, t->count, err);
    for (size_t i = 0; i < t->count && code == PAWL_OK; i++)
        put(t->config, &t->fresh[i]);
    pw_config_given(t->config);
    (void)pthread_mutex_unlock(t->config->lock);
    return code;
}

static pawl_code take_entries(taking *t, const pw_entries *entries, pawl_error *err)
{
    if (entries->count > PW_CONFIG_SETTINGS_MAX)
        return pw_fail(err, PAWL_INVALID, PW_FMT ": more than %d settings", PW_ARG(where_of(t, 0)),
                       (int)PW_CONFIG_SETTINGS_MAX);
    t->fresh = PW_NEW_ARRAY(&t->arena, pw_setting, entries->count + 1);
    for (size_t i = 0; i < entries->count; i++)
        take_entry(t, &entries->items[i]);
    if (t->problems == 0)
        return put_all(t, err);
    if (err)
        *err = t->first;
    return PAWL_INVALID;
}

static void fill_environment(taking *t, pw_entries *entries, char *const *environment);

typedef struct given { /* where entries come from: exactly one of them */
    const pw_str *text;
    char *const *environment;
    const pw_entry *one;
} given;

static pawl_code take_from(taking *t, const given *from, pawl_error *err)
{
    pw_entries *entries = PW_NEW(&t->arena, pw_entries);
    entries->arena = &t->arena;
    if (from->one) {
        entries->items = PW_NEW(&t->arena, pw_entry);
        entries->items[entries->count++] = *from->one;
    } else if (from->environment) {
        fill_environment(t, entries, from->environment);
    } else {
        uint32_t line = 0;
        pawl_error trouble;
        pawl_code code = pw_config_read(entries, *from->text, &line, &trouble);
        if (code == PAWL_INVALID)
            tell(t, (pw_str){ "", 0 }, (pw_str){ "", 0 }, where_of(t, line), trouble.message);
        if (code != PAWL_OK) {
            if (err)
                *err = code == PAWL_INVALID ? t->first : trouble;
            return code;
        }
    }
    return take_entries(t, entries, err);
}

static pawl_code take_guarded(taking *t, const given *from, pawl_error *err)
{
    jmp_buf out_of_memory;
    if (setjmp(out_of_memory))
        return pw_no_memory(err);
    (void)pw_arena_guard(&t->arena, &out_of_memory);
    return take_from(t, from, err);
}

static pawl_code take(taking *t, const given *from, pawl_error *err)
{
    pw_arena_init(&t->arena, 0);
    pawl_code code = take_guarded(t, from, err);
    for (size_t i = 0; t->fresh && i < t->count; i++)
        pw_setting_done(&t->fresh[i]);
    pw_arena_done(&t->arena);
    return code;
}

PAWL_API pawl_code pawl_config_text(pawl_config *config, const char *text, size_t length,
                                    const char *name, pawl_config_problem_fn on_problem,
                                    void *context, pawl_error *err)
{
    if (!config || (!text && length > 0) || !name)
        return pw_fail(err, PAWL_INVALID,
                       "pawl_config_text needs a configuration, text and a name");
    taking t = { .config = config,
                 .source = PAWL_CONFIG_FILE,
                 .name = name,
                 .on_problem = on_problem,
                 .context = context };
    pw_str whole = { length ? text : "", length };
    return take(&t, &(given){ .text = &whole }, err);
}

static pawl_code read_file(pw_buf *out, const char *path, pawl_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC |
                            O_NONBLOCK); /* a pipe without a writer does not hold us up */
    if (fd < 0)
        return pw_fail_native(err, errno == ENOENT ? PAWL_NOT_FOUND : PAWL_IO, errno,
                              "cannot open the configuration '%s': %s", path, strerror(errno));
    pawl_code code = PAWL_OK;
    struct stat info;
    if (fstat(fd, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISFIFO(info.st_mode))
        code = pw_fail(err, PAWL_INVALID, "the configuration '%s' is not a file", path);
    else
        (void)fcntl(fd, F_SETFL, 0);
    char piece[16 << 10];
    while (code == PAWL_OK && out->len <= PW_CONFIG_BYTES_MAX) {
        ssize_t n = read(fd, piece, sizeof piece);
        if (n == 0)
            break;
        if (n > 0)
            pw_buf_add(out, piece, (size_t)n);
        else if (errno != EINTR)
            code = pw_fail_native(err, PAWL_IO, errno, "cannot read the configuration '%s': %s",
                                  path, strerror(errno));
    }
    (void)close(fd);
    return code == PAWL_OK && out->failed ? pw_no_memory(err) : code;
}

PAWL_API pawl_code pawl_config_file(pawl_config *config, const char *path,
                                    pawl_config_problem_fn on_problem, void *context,
                                    pawl_error *err)
{
    if (!config || !path)
        return pw_fail(err, PAWL_INVALID, "pawl_config_file needs a configuration and a path");
    pw_buf text;
    pw_buf_init(&text, 0);
    pawl_code code = read_file(&text, path, err);
    if (code == PAWL_OK)
        code = pawl_config_text(config, text.ptr, text.len, path, on_problem, context, err);
    pw_buf_done(&text);
    return code;
}

PAWL_API pawl_code pawl_config_set(pawl_config *config, const char *key, const char *value,
                                   pawl_config_source source, pawl_error *err)
{
    if (!config || !key || !value || source == PAWL_CONFIG_DEFAULT || source > PAWL_CONFIG_FLAG)
        return pw_fail(err, PAWL_INVALID,
                       "pawl_config_set needs a configuration, a key, a value and a source");
    taking t = { .config = config, .source = source };
    pw_entry entry = { pw_str_of(key), PW_GIVEN_WORD, pw_str_of(value), 0 };
    if (!pw_utf8_valid(entry.path) || !pw_utf8_valid(entry.text))
        return pw_fail(err, PAWL_INVALID, "%s: a setting is not UTF-8 text",
                       pw_source_name(source));
    return take(&t, &(given){ .one = &entry }, err);
}

/* ---- the environment */

/* "Server__Tls__Key" as "Server:Tls:Key"; false: no name of ours. */
static bool path_of_name(taking *t, pw_str *out, pw_str name)
{
    char *path = pw_arena_alloc(&t->arena, name.len + 1);
    size_t len = 0;
    bool nested = false;
    for (size_t i = 0; i < name.len; i++) {
        bool colon = name.ptr[i] == '_' && i + 1 < name.len && name.ptr[i + 1] == '_' && i > 0;
        path[len++] = colon ? ':' : name.ptr[i];
        i += colon;
        nested = nested || colon;
    }
    path[len] = '\0';
    *out = (pw_str){ path, len };
    const char *first = memchr(path, ':', len);
    return nested && first && pw_utf8_valid(*out) &&
           pw_key_is_section((pw_str){ path, (size_t)(first - path) });
}

static void fill_environment(taking *t, pw_entries *entries, char *const *environment)
{
    size_t count = 0;
    while (environment[count])
        count++;
    entries->items = PW_NEW_ARRAY(entries->arena, pw_entry, count + 1);
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(environment[i], '=');
        pw_str path, name = { environment[i], equals ? (size_t)(equals - environment[i]) : 0 };
        if (!equals || !path_of_name(t, &path, name))
            continue;
        pw_str text = pw_str_of(equals + 1);
        if (!pw_utf8_valid(text))
            tell(t, path, (pw_str){ "", 0 }, where_of(t, 0), "is not UTF-8 text");
        else
            entries->items[entries->count++] = (pw_entry){ path, PW_GIVEN_WORD, text, 0 };
    }
}

PAWL_API pawl_code pawl_config_environment(pawl_config *config, char *const *environment,
                                           pawl_config_problem_fn on_problem, void *context,
                                           pawl_error *err)
{
    if (!config || !environment)
        return pw_fail(err, PAWL_INVALID,
                       "pawl_config_environment needs a configuration and an environment");
    taking t = { .config = config,
                 .source = PAWL_CONFIG_ENVIRONMENT,
                 .on_problem = on_problem,
                 .context = context };
    return take(&t, &(given){ .environment = environment }, err);
}

/* ---- reading */

/* A copy of the value; texts stay as long as the configuration, or until a reload that changes
 * them. */
static pw_setting_value value_of(const pawl_config *config, const char *path, unsigned types)
{
    pw_str name;
    const pw_key *key = config && path ? pw_key_find(pw_str_of(path), &name) : NULL;
    PW_ASSERT(key && name.len == 0); /* a mistake of the caller's: see doc/configuration.md */
    PW_ASSERT((types & PW_BIT(key->type)) != 0);
    (void)pthread_mutex_lock(config->lock);
    const pw_setting *setting = pw_config_find(config, key, name);
    PW_ASSERT(setting); /* those without a name in them are all there */
    pw_setting_value value = setting->value;
    (void)pthread_mutex_unlock(config->lock);
    return value;
}

PAWL_API int64_t pawl_config_number(const pawl_config *config, const char *key)
{
    return (int64_t)value_of(config, key, PW_BIT(PW_KEY_COUNT) | PW_BIT(PW_KEY_BYTES)).number;
}

PAWL_API uint64_t pawl_config_duration_ms(const pawl_config *config, const char *key)
{
    return value_of(config, key, PW_BIT(PW_KEY_DURATION)).number;
}

PAWL_API int pawl_config_flag(const pawl_config *config, const char *key)
{
    return value_of(config, key, PW_BIT(PW_KEY_FLAG)).number != 0;
}

PAWL_API const char *pawl_config_string(const pawl_config *config, const char *key)
{
    const unsigned texts = PW_BIT(PW_KEY_STRING) | PW_BIT(PW_KEY_SECRET) | PW_BIT(PW_KEY_HIDDEN) |
                           PW_BIT(PW_KEY_ADDRESSES) | PW_BIT(PW_KEY_LIST) | PW_BIT(PW_KEY_OUTCOME) |
                           PW_BIT(PW_KEY_FORMAT) | PW_BIT(PW_KEY_LEVELS);
    return value_of(config, key, texts).text.ptr;
}

/* ---- what holds between keys */

typedef struct checking {
    const pawl_config *config;
    pawl_config_problem_fn on_problem;
    void *context;
    uint32_t problems;
    bool failed; /* out of memory */
    pawl_error *err;
} checking;

static const pw_setting *setting_of(const checking *c, const char *path)
{
    pw_str name;
    const pw_setting *setting =
        pw_config_find(c->config, pw_key_find(pw_str_of(path), &name), name);
    PW_ASSERT(setting); /* it is a fixed one */
    return setting;
}

/* `path` does not fit `other`: `relation` says how it should. */
static void complain(checking *c, const char *path, const char *relation, const char *other)
{
    const pw_setting *setting = setting_of(c, path), *beside = setting_of(c, other);
    pw_buf value, message;
    pw_buf_init(&value, 0);
    pw_buf_init(&message, 0);
    pw_value_show(&value, setting->key, &setting->value);
    pw_buf_char(&value, '\0');
    pw_buf_printf(&message, "%s %s", relation, other);
    if (beside->value.text.len == 0 && beside->key->type == PW_KEY_DURATION) {
        pw_buf_text(&message, ", which is ");
        pw_value_show(&message, beside->key, &beside->value);
        pw_buf_printf(&message, " (%s)", pw_setting_where(beside));
    }
    pw_buf_char(&message, '\0');
    c->failed |= value.failed || message.failed;
    if (!c->failed && c->problems++ == 0)
        (void)pw_fail(c->err, PAWL_INVALID, "%s: %s: '%s' %s", pw_setting_where(setting), path,
                      value.ptr, message.ptr);
    if (!c->failed && c->on_problem)
        c->on_problem(c->context, path, value.ptr, pw_setting_where(setting), message.ptr);
    pw_buf_done(&value);
    pw_buf_done(&message);
}

static void check_sink(checking *c, const pw_setting *setting)
{
    const char *wrong = pw_config_sink_wrong(c->config, setting);
    if (!wrong)
        return;
    pw_buf path;
    pw_buf_init(&path, 0);
    pw_setting_path(&path, setting);
    pw_buf_char(&path, '\0');
    c->failed |= path.failed;
    if (!c->failed && c->problems++ == 0)
        (void)pw_fail(c->err, PAWL_INVALID, "%s: %s: %s", pw_setting_where(setting), path.ptr, wrong);
    if (!c->failed && c->on_problem)
        c->on_problem(c->context, path.ptr, "", pw_setting_where(setting), wrong);
    pw_buf_done(&path);
}

static void check_all(checking *c)
{
    static const char *const not_shorter[][2] = {
        { "WorkflowResilience:Retry:MaxDelay", "WorkflowResilience:Retry:BaseDelay" },
        { "WorkflowResilience:ExternalCall:MaxDelay", "WorkflowResilience:ExternalCall:BaseDelay" },
    };
    static const char *const together[][2] = {
        { "Server:Tls:Certificate", "Server:Tls:Key" },
        { "Server:Tls:Key", "Server:Tls:Certificate" },
        { "Engine:ClientKey", "Engine:ClientCertificate" },
    };
    for (size_t i = 0; i < PW_LENGTH(not_shorter); i++) {
        if (setting_of(c, not_shorter[i][0])->value.number <
            setting_of(c, not_shorter[i][1])->value.number)
            complain(c, not_shorter[i][0], "must not be shorter than", not_shorter[i][1]);
    }
    for (size_t i = 0; i < PW_LENGTH(together); i++) {
        if (setting_of(c, together[i][0])->value.text.len > 0 &&
            setting_of(c, together[i][1])->value.text.len == 0)
            complain(c, together[i][0], "is nothing without", together[i][1]);
    }
    if (setting_of(c, "Server:MaxBodies")->value.number <
        setting_of(c, "Server:MaxBody")->value.number)
        complain(c, "Server:MaxBodies", "must not be less than", "Server:MaxBody");
    const uint64_t low = setting_of(c, "Store:DiskLow")->value.number;
    if (low > 0 && low < setting_of(c, "Store:DiskFull")->value.number)
        complain(c, "Store:DiskLow", "must not be less than", "Store:DiskFull");
    for (size_t i = pw_config_fixed(); i < c->config->count; i++)
        check_sink(c, &c->config->settings[i]);
}

PAWL_API pawl_code pawl_config_check(const pawl_config *config, pawl_config_problem_fn on_problem,
                                     void *context, pawl_error *err)
{
    if (!config)
        return pw_fail(err, PAWL_INVALID, "pawl_config_check needs a configuration");
    checking c = { .config = config, .on_problem = on_problem, .context = context, .err = err };
    (void)pthread_mutex_lock(config->lock);
    check_all(&c);
    (void)pthread_mutex_unlock(config->lock);
    if (c.failed)
        return pw_no_memory(err);
    return c.problems > 0 ? PAWL_INVALID : PAWL_OK;
}
