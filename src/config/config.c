/* config.c - the settings of a process, from where they come. */
#include <pawl/server.h>
#include "base/base.h"

pawl_code pawl_config_new(pawl_config **out, pawl_error *err)
{
    (void)out;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

void pawl_config_free(pawl_config *config)
{
    (void)config;
}

pawl_code pawl_config_file(pawl_config *config, const char *path, pawl_config_problem_fn on_problem, void *context, pawl_error *err)
{
    (void)config, (void)path, (void)on_problem, (void)context;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

pawl_code pawl_config_text(pawl_config *config, const char *text, size_t length, const char *name, pawl_config_problem_fn on_problem, void *context, pawl_error *err)
{
    (void)config, (void)text, (void)length, (void)name, (void)on_problem, (void)context;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

pawl_code pawl_config_environment(pawl_config *config, char *const *environment, pawl_config_problem_fn on_problem, void *context, pawl_error *err)
{
    (void)config, (void)environment, (void)on_problem, (void)context;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

pawl_code pawl_config_set(pawl_config *config, const char *key, const char *value, pawl_config_source source, pawl_error *err)
{
    (void)config, (void)key, (void)value, (void)source;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

pawl_code pawl_config_check(const pawl_config *config, pawl_config_problem_fn on_problem, void *context, pawl_error *err)
{
    (void)config, (void)on_problem, (void)context;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

int64_t pawl_config_number(const pawl_config *config, const char *key)
{
    (void)config, (void)key;
    return 0;
}

uint64_t pawl_config_duration_ms(const pawl_config *config, const char *key)
{
    (void)config, (void)key;
    return 0;
}

int pawl_config_flag(const pawl_config *config, const char *key)
{
    (void)config, (void)key;
    return 0;
}

const char * pawl_config_string(const pawl_config *config, const char *key)
{
    (void)config, (void)key;
    return "";
}

pawl_code pawl_config_json(const pawl_config *config, char **out, pawl_error *err)
{
    (void)config, (void)out;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

const char * pawl_config_schema(void)
{
    return "";
}

pawl_code pawl_config_manual(char **out, pawl_error *err)
{
    (void)out;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

void pawl_config_options(const pawl_config *config, pawl_options *out)
{
    (void)config, (void)out;
}

pawl_code pawl_config_reload(pawl_config *config, const pawl_config *fresh, pawl *p, char **out, pawl_error *err)
{
    (void)config, (void)fresh, (void)p, (void)out;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}
