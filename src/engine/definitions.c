/* definitions.c - the versions of a definition: which may be started, and what there is. */
#include "engine/engine.h"
#include "base/json.h"

enum { VERSION_MAX = 256 };

/* "name" or "namespace/name"; `what` is the function, for the message. */
static pawl_code read_name(pw_str *namespace_, pw_str *name, const char *text, const char *what,
                           pawl_error *err)
{
    *namespace_ = (pw_str){ 0 };
    *name = pw_str_of(text);
    if (!name->len || name->len > 2 * PW_NAME_MAX + 1 || !pw_utf8_valid(*name))
        return pw_fail(err, PAWL_INVALID, "%s: the name is missing, too long or not UTF-8", what);
    const char *slash = memchr(name->ptr, '/', name->len);
    if (!slash)
        return PAWL_OK;
    *namespace_ = (pw_str){ name->ptr, (size_t)(slash - name->ptr) };
    *name = (pw_str){ slash + 1, name->len - namespace_->len - 1 };
    if (!namespace_->len || !name->len)
        return pw_fail(err, PAWL_INVALID, "%s: the name must be \"name\" or \"namespace/name\"",
                       what);
    return PAWL_OK;
}

static pawl_code find(pawl *p, const char *name, const char *version, const char *what,
                      pw_definition *out, pw_arena *arena, pawl_error *err)
{
    pw_str namespace_, bare, wanted = pw_str_of(version);
    pawl_code code = read_name(&namespace_, &bare, name, what, err);
    if (code == PAWL_OK && (wanted.len > VERSION_MAX || !pw_utf8_valid(wanted)))
        code = pw_fail(err, PAWL_INVALID, "%s: the version is too long or not UTF-8", what);
    if (code == PAWL_OK)
        code = pw_store_definition_get(p->store, namespace_, bare, wanted, out, arena, err);
    return pw_because(err, code, PAWL_NOT_FOUND, PAWL_REASON_NO_DEFINITION);
}

static void add_head(pw_object_builder *object, const pw_definition *d)
{
    pw_object_add(object, PW_LIT("namespace"), pw_string_ref(d->namespace_));
    pw_object_add(object, PW_LIT("name"), pw_string_ref(d->name));
    pw_object_add(object, PW_LIT("version"), pw_string_ref(d->version));
    pw_object_add(object, PW_LIT("status"),
                  pw_string_ref(pw_str_of(pw_definition_status_name(d->status))));
    pw_object_add(object, PW_LIT("digest"), pw_string_ref(d->digest));
    pw_object_add(object, PW_LIT("level"), pw_int(d->level));
    if (d->scheduled)
        pw_object_add(object, PW_LIT("scheduled"), pw_bool(true));
    pw_object_add(object, PW_LIT("createdAt"),
                  pw_string_ref(pw_moment_text(object->arena, d->created_ms)));
}

/* ------------------------------------------------------------------ status */

static pawl_code set_status(pawl *p, const char *name, const char *version,
                            pw_definition_status status, pw_arena *arena, pawl_error *err)
{
    pw_definition d;
    pawl_error error = { .code = PAWL_OK };
    pawl_code code = find(p, name, version, "definition_status", &d, arena, err);
    if (code != PAWL_OK || d.status == status)
        return code;
    code = pw_store_definition_status(p->store, d.namespace_, d.name, d.version, status, &error);
    if (code == PAWL_IO)
        pw_committer_suspect(p->committer, &error);
    if (code != PAWL_OK && err)
        *err = error;
    /* also when nobody knows whether it took place */
    pw_programs_changed(p->programs, true);
    pw_schedules_changed(p->schedules, d.namespace_, d.name);
    return code;
}

pawl_code pawl_definition_status(pawl *p, const char *name, const char *version, const char *status,
                                 pawl_error *err)
{
    pawl_code code = pw_engine_may_write(p, err);
    if (code != PAWL_OK)
        return code;
    pw_definition_status wanted;
    if (!version || !version[0])
        return pw_fail(err, PAWL_INVALID, "definition_status: the version is missing");
    if (!pw_definition_status_parse(&wanted, pw_str_of(status)) || wanted == PW_DEFINITION_DRAFT)
        return pw_fail(err, PAWL_INVALID,
                       "definition_status: the status is published, deprecated or archived, not "
                       "'%.40s'",
                       status ? status : "");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    code = set_status(p, name, version, wanted, &arena, err);
    pw_arena_done(&arena);
    return code;
}

/* ------------------------------------------------------------------ looking */

pawl_code pawl_definition(pawl *p, const char *name, const char *version, char **out,
                          pawl_error *err)
{
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "definition: the pawl or out is NULL");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_definition d;
    pawl_code code = find(p, name, version, "definition", &d, &arena, err);
    if (code == PAWL_OK) {
        pw_object_builder object = { .arena = &arena };
        add_head(&object, &d);
        pw_object_add(&object, PW_LIT("document"), pw_string_ref(d.document));
        code = pw_give_json(out, pw_object_end(&object), &arena, err);
    }
    pw_arena_done(&arena);
    return code;
}

static pawl_code read_filter(pw_definition_filter *out, bool *none, const pawl_definitions_options *given, pw_arena *arena,
                             pawl_error *err)
{
    pawl_definitions_options options;
    pawl_code code = pw_options_take(&options, sizeof options, given, false, "pawl_definitions_options", err);
    if (code != PAWL_OK)
        return code;
    *out = (pw_definition_filter){ .after = pw_str_of(options.after) };
    code = pw_page_check(&out->limit, options.limit, "definitions", err);
    if (code == PAWL_OK && options.name)
        code = read_name(&out->namespace_, &out->name, options.name, "definitions", err);
    if (code == PAWL_OK)
        code = pw_names_read(&out->namespaces, &out->namespace_count, none, options.namespaces, "definitions: namespaces",
                             arena, err);
    return code;
}

pawl_code pawl_definitions(pawl *p, const pawl_definitions_options *options, char **out,
                           pawl_error *err)
{
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "definitions: the pawl or out is NULL");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_definition_filter filter;
    pw_definition_row *rows = NULL;
    size_t count = 0;
    pw_str next = { 0 };
    bool none = false;
    pawl_code code = read_filter(&filter, &none, options, &arena, err);
    if (code == PAWL_OK && !none)
        code = pw_store_definition_list(p->store, &filter, &rows, &count, &next, &arena, err);
    if (code == PAWL_OK) {
        pw_array_builder list = { .arena = &arena };
        for (size_t i = 0; i < count; i++) {
            pw_object_builder object = { .arena = &arena };
            add_head(&object, &rows[i].definition);
            pw_object_add(&object, PW_LIT("instances"), pw_int((int64_t)rows[i].living));
            pw_array_add(&list, pw_object_end(&object));
        }
        pw_object_builder page = { .arena = &arena };
        pw_object_add(&page, PW_LIT("definitions"), pw_array_end(&list));
        if (next.len)
            pw_object_add(&page, PW_LIT("next"), pw_string_ref(next));
        code = pw_give_json(out, pw_object_end(&page), &arena, err);
    }
    pw_arena_done(&arena);
    return code;
}
