/* show.c - see show.h. */
#include "base/moment.h"
#include "engine/show.h"

void pw_show_text(pw_object_builder *object, const char *name, pw_str text)
{
    if (text.len)
        pw_object_add(object, pw_str_of(name), pw_string_ref(text));
}

void pw_show_moment(pw_object_builder *object, const char *name, int64_t ms)
{
    if (ms > 0)
        pw_object_add(object, pw_str_of(name), pw_string_ref(pw_moment_text(object->arena, ms)));
}

void pw_show_count(pw_object_builder *object, const char *name, uint64_t n)
{
    pw_object_add(object, pw_str_of(name), pw_int(n > INT64_MAX ? INT64_MAX : (int64_t)n));
}

pawl_code pw_stored_json(pw_value *out, pw_str text, pw_arena *arena, const char *what, pawl_error *err)
{
    pawl_error why = { .code = PAWL_OK };
    *out = (pw_value){ 0 };
    pawl_code code = text.len ? pw_json_parse(out, text, NULL, arena, &why) : PAWL_OK;
    if (code == PAWL_INVALID)
        return pw_fail(err, PAWL_CORRUPT, "stored %s: %s", what, why.message);
    if (code != PAWL_OK && err)
        *err = why;
    return code;
}

pawl_code pw_show_json(pw_object_builder *object, const char *name, pw_str text, pawl_error *err)
{
    pw_value v;
    pawl_code code = pw_stored_json(&v, text, object->arena, name, err);
    if (code == PAWL_OK)
        pw_object_add(object, pw_str_of(name), v);
    return code;
}
