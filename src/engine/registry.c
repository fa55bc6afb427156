/* registry.c - a list under a lock; few entries, read at each hand-out. */
#include <pthread.h>
#include "engine/registry.h"

typedef struct function {
    struct function *next;
    pawl_activity_options options;
    size_t length;
    char name[];
} function;

struct pw_registry {
    pthread_mutex_t lock;
    function *first;
};

pawl_code pw_registry_new(pw_registry **out, pawl_error *err)
{
    pw_registry *registry = pw_zalloc(sizeof *registry);
    if (!registry)
        return pw_no_memory(err);
    int failed = pthread_mutex_init(&registry->lock, NULL);
    if (failed) {
        pw_free(registry);
        return pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory");
    }
    *out = registry;
    return PAWL_OK;
}

void pw_registry_free(pw_registry *registry)
{
    if (!registry)
        return;
    for (function *f = registry->first, *next = NULL; f; f = next) {
        next = f->next;
        pw_free(f);
    }
    (void)pthread_mutex_destroy(&registry->lock);
    pw_free(registry);
}

static const function *find(const pw_registry *registry, pw_str name)
{
    const function *f = registry->first;
    while (f && (f->length != name.len || memcmp(f->name, name.ptr, name.len) != 0))
        f = f->next;
    return f;
}

pawl_code pw_registry_add(pw_registry *registry, const pawl_activity_options *given,
                          pawl_error *err)
{
    if (!given || given->struct_size == 0)
        return pw_fail(err, PAWL_INVALID,
                       "activity: struct_size is 0; set it to sizeof(pawl_activity_options)");
    pawl_activity_options options = { 0 };
    size_t known = given->struct_size < sizeof options ? given->struct_size : sizeof options;
    memcpy(&options, given, known);
    if (!options.name || !options.name[0])
        return pw_fail(err, PAWL_INVALID, "activity: it needs a name, as `call:` says it");
    size_t length = strlen(options.name);
    if (length > PW_FUNCTION_NAME_MAX || !pw_utf8_valid((pw_str){ options.name, length }))
        return pw_fail(err, PAWL_INVALID, "activity: a name has at most %u bytes of UTF-8",
                       PW_FUNCTION_NAME_MAX);
    if (!options.run)
        return pw_fail(err, PAWL_INVALID, "activity '%s': it needs a function (run)", options.name);
    function *f = pw_zalloc(sizeof *f + length + 1);
    if (!f)
        return pw_no_memory(err);
    memcpy(f->name, options.name, length + 1);
    f->length = length;
    f->options = options;
    f->options.struct_size = sizeof options;
    f->options.name = f->name;
    (void)pthread_mutex_lock(&registry->lock);
    bool taken = find(registry, (pw_str){ f->name, length }) != NULL;
    if (!taken) {
        f->next = registry->first;
        registry->first = f;
    }
    (void)pthread_mutex_unlock(&registry->lock);
    if (!taken)
        return PAWL_OK;
    pw_free(f);
    return pw_fail(err, PAWL_CONFLICT, "activity '%s' is registered already", options.name);
}

bool pw_registry_find(pw_registry *registry, pw_str name, pawl_activity_options *out)
{
    (void)pthread_mutex_lock(&registry->lock);
    const function *f = find(registry, name);
    if (f && out)
        *out = f->options;
    (void)pthread_mutex_unlock(&registry->lock);
    return f != NULL;
}
