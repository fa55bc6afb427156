/* config.c - any bytes as a configuration: refused with a place and a reason, and then nothing is taken; or taken, and then
 * what is shown of it is JSON, and set again by hand it is the same. */
#include <pawl/server.h>
#include "fuzz.h"
#include "base/json.h"

static void on_problem(void *context, const char *key, const char *value, const char *where, const char *message)
{
    uint32_t *problems = context;
    (*problems)++;
    FUZZ_CHECK(pw_utf8_valid(pw_str_of(key)) && pw_utf8_valid(pw_str_of(value)));
    FUZZ_CHECK(strncmp(where, "fuzz", 4) == 0 && message[0] != '\0');
}

static void on_check(void *context, const char *key, const char *value, const char *where, const char *message)
{
    (void)context;
    FUZZ_CHECK(key[0] && value[0] && where[0] && message[0]);
}

static pw_value settings_of(const pawl_config *config, pw_arena *arena)
{
    char *text = NULL;
    pawl_error err;
    pw_value all;
    FUZZ_CHECK(pawl_config_json(config, &text, &err) == PAWL_OK);
    FUZZ_CHECK(pw_json_parse(&all, pw_str_of(text), NULL, arena, &err) == PAWL_OK);
    pawl_free(text);
    return pw_get_lit(all, "settings");
}

/* Each setting that was given, by hand into a fresh configuration. */
static void set_again(pw_value settings, pw_arena *arena)
{
    pawl_config *again = NULL;
    pawl_error err;
    FUZZ_CHECK(pawl_config_new(&again, &err) == PAWL_OK);
    for (uint32_t i = 0; i < settings.count; i++) {
        pw_value setting = pw_item(settings, i), value = pw_get_lit(setting, "value");
        pw_str text = pw_is(value, PW_STRING) ? pw_text(value) : pw_json_text(arena, value, PW_JSON_COMPACT);
        pw_str key = pw_get_text(setting, "key");
        if (pw_str_is(pw_get_text(setting, "source"), "default") || pw_truthy(pw_get_lit(setting, "secret")) ||
            text.len == 0)
            continue; /* a default stays, and a secret is hidden */
        FUZZ_CHECK(pawl_config_set(again, pw_arena_str(arena, key).ptr, pw_arena_str(arena, text).ptr, PAWL_CONFIG_FILE,
                                   &err) == PAWL_OK);
    }
    pw_value second = settings_of(again, arena);
    for (uint32_t i = 0; i < second.count && second.count == settings.count; i++) {
        pw_value a = pw_item(settings, i), b = pw_item(second, i);
        if (!pw_truthy(pw_get_lit(a, "secret")))
            FUZZ_CHECK(pw_equal(pw_get_lit(a, "value"), pw_get_lit(b, "value")));
    }
    pawl_config_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_config *config = NULL;
    pawl_error err = { .code = PAWL_OK };
    uint32_t problems = 0;
    FUZZ_CHECK(pawl_config_new(&config, &err) == PAWL_OK);
    pw_str text = fuzz_text(data, size);
    pawl_code code = pawl_config_text(config, text.ptr, text.len, "fuzz", on_problem, &problems, &err);
    pw_value settings = settings_of(config, &arena);
    if (code == PAWL_OK) {
        FUZZ_CHECK(problems == 0);
        set_again(settings, &arena);
        const pawl_code checked = pawl_config_check(config, on_check, NULL, &err);
        FUZZ_CHECK(checked == PAWL_OK || checked == PAWL_INVALID);
    } else {
        FUZZ_CHECK(code == PAWL_INVALID && err.message[0] != '\0');
        for (uint32_t i = 0; i < settings.count; i++)
            FUZZ_CHECK(pw_str_is(pw_get_text(pw_item(settings, i), "source"), "default"));
    }
    pawl_config_free(config);
    pw_arena_done(&arena);
    return 0;
}
