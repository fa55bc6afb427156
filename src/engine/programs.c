/* programs.c - a list of at most PW_PROGRAMS_MAX names, most recently used first. The lock is not
 * held while a definition is read and compiled: two threads may compile the same one, and one of
 * the two is dropped. */
#include "engine/programs.h"
#include "lang/lang.h"

typedef struct entry {
    struct entry *next;
    pw_program *program;
    pw_definition_status status;
    bool alias; /* asked without namespace or version: forgotten when something is deployed */
    pw_str namespace_, name, version; /* as asked; in `text` */
    char text[];
} entry;

struct pw_programs {
    pthread_mutex_t lock;
    entry *first;
    uint32_t count;
    uint64_t changes; /* so far: what was found before one of them is not remembered */
};

pawl_code pw_programs_new(pw_programs **out, pawl_error *err)
{
    pw_programs *programs = pw_zalloc(sizeof *programs);
    if (!programs)
        return pw_no_memory(err);
    int failed = pthread_mutex_init(&programs->lock, NULL);
    if (failed) {
        pw_free(programs);
        return pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory");
    }
    *out = programs;
    return PAWL_OK;
}

static void entry_free(entry *e)
{
    pw_program_unref(e->program);
    pw_free(e);
}

void pw_programs_free(pw_programs *programs)
{
    if (!programs)
        return;
    for (entry *e = programs->first, *next = NULL; e; e = next) {
        next = e->next;
        entry_free(e);
    }
    (void)pthread_mutex_destroy(&programs->lock);
    pw_free(programs);
}

void pw_programs_changed(pw_programs *programs, bool status)
{
    (void)pthread_mutex_lock(&programs->lock);
    programs->changes++;
    for (entry **at = &programs->first; *at;) {
        entry *e = *at;
        if (!e->alias && !status) {
            at = &e->next;
            continue;
        }
        *at = e->next;
        programs->count--;
        entry_free(e);
    }
    (void)pthread_mutex_unlock(&programs->lock);
}

/* Under the lock: the program, moved to the front; NULL: not there. */
static pw_program *find(pw_programs *programs, pw_str namespace_, pw_str name, pw_str version,
                        pw_definition_status *status)
{
    for (entry **at = &programs->first; *at; at = &(*at)->next) {
        entry *e = *at;
        if (!pw_str_eq(e->name, name) || !pw_str_eq(e->version, version) ||
            !pw_str_eq(e->namespace_, namespace_))
            continue;
        *at = e->next;
        e->next = programs->first;
        programs->first = e;
        *status = e->status;
        return pw_program_ref(e->program);
    }
    return NULL;
}

/* Under the lock. Without memory it is just not remembered. */
static void remember_it(pw_programs *programs, pw_str namespace_, pw_str name, pw_str version,
                        pw_program *program, pw_definition_status status)
{
    entry *e = pw_alloc(sizeof *e + namespace_.len + name.len + version.len);
    if (!e)
        return;
    char *at = e->text;
    pw_str *copies[] = { &e->namespace_, &e->name, &e->version };
    const pw_str parts[] = { namespace_, name, version };
    for (size_t i = 0; i < PW_LENGTH(parts); i++) {
        if (parts[i].len)
            memcpy(at, parts[i].ptr, parts[i].len);
        *copies[i] = (pw_str){ at, parts[i].len };
        at += parts[i].len;
    }
    e->alias = namespace_.len == 0 || version.len == 0;
    e->program = pw_program_ref(program);
    e->status = status;
    e->next = programs->first;
    programs->first = e;
    if (++programs->count <= PW_PROGRAMS_MAX)
        return;
    entry **last = &programs->first;
    while ((*last)->next)
        last = &(*last)->next;
    entry_free(*last);
    *last = NULL;
    programs->count--;
}

static pawl_code compile(pw_program **out, const pw_definition *definition, pw_arena *arena,
                         pawl_error *err)
{
    pw_findings findings = { .arena = arena };
    pawl_error cause;
    pawl_code code = pw_lang_load(out, definition->document, &findings, &cause);
    if (code == PAWL_OK)
        return PAWL_OK;
    if (code != PAWL_INVALID) {
        if (err)
            *err = cause;
        return code;
    }
    return pw_fail(err, PAWL_CORRUPT,
                   "the published definition '" PW_FMT "/" PW_FMT "' version '" PW_FMT
                   "' cannot be read by this release: %.200s",
                   PW_ARG(definition->namespace_), PW_ARG(definition->name),
                   PW_ARG(definition->version), cause.message);
}

pawl_code pw_programs_get(pw_programs *programs, pw_store *store, pw_str namespace_, pw_str name,
                          pw_str version, bool remember, pw_program **out,
                          pw_definition_status *status, pawl_error *err)
{
    pw_definition_status found = PW_DEFINITION_PUBLISHED, ignored;
    bool alias = namespace_.len == 0 || version.len == 0;
    pw_program *program = NULL;
    (void)pthread_mutex_lock(&programs->lock);
    uint64_t changes = programs->changes;
    if (!alias || remember)
        program = find(programs, namespace_, name, version, &found);
    (void)pthread_mutex_unlock(&programs->lock);
    if (program) {
        if (status)
            *status = found;
        *out = program;
        return PAWL_OK;
    }
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_definition definition = { 0 };
    pawl_code code =
        pw_store_definition_get(store, namespace_, name, version, &definition, &arena, err);
    if (code == PAWL_OK && alias) { /* the exact one may be compiled already */
        (void)pthread_mutex_lock(&programs->lock);
        program =
            find(programs, definition.namespace_, definition.name, definition.version, &ignored);
        (void)pthread_mutex_unlock(&programs->lock);
    }
    if (code == PAWL_OK && !program)
        code = compile(&program, &definition, &arena, err);
    if (code == PAWL_OK) {
        (void)pthread_mutex_lock(&programs->lock);
        pw_program *other =
            find(programs, definition.namespace_, definition.name, definition.version, &ignored);
        if (other) {
            pw_program_unref(program);
            program = other;
        } else if (changes == programs->changes) {
            remember_it(programs, definition.namespace_, definition.name, definition.version,
                        program, definition.status);
        }
        if (alias && remember && changes == programs->changes)
            remember_it(programs, namespace_, name, version, program, definition.status);
        (void)pthread_mutex_unlock(&programs->lock);
        if (status)
            *status = definition.status;
        *out = program;
    }
    pw_arena_done(&arena);
    return code;
}
