/* copies.c - backups of a store, stores made of backups, and whether one is whole. No engine is needed for it, and one that runs goes on. */
#include "engine/engine.h"
#include "base/json.h"

typedef struct told {
    pawl_progress_fn fn;
    void *context;
} told;

static bool tell(void *context, uint64_t done, uint64_t all)
{
    const told *t = context;
    return t->fn(t->context, done, all) == 0;
}

/* *out NULL: nobody wants it. */
static pawl_code answer(char **out, const char *what, const char *name, const pw_store_copy *copy, pawl_error *err)
{
    char at[PW_MOMENT_SIZE];
    if (!out)
        return PAWL_OK;
    pw_moment_write(at, copy->at_ms);
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_printf(&buf, "{\"%s\":", what);
    pw_json_write_string(&buf, pw_str_of(name));
    pw_buf_printf(&buf, ",\"bytes\":%llu,\"instances\":%llu,\"schema\":%d,\"generation\":\"%s\",\"at\":\"%s\"}",
                  (unsigned long long)copy->bytes, (unsigned long long)copy->instances, copy->schema, copy->generation, at);
    char *text = pw_buf_take(&buf);
    pw_buf_done(&buf);
    if (!text)
        return pw_no_memory(err);
    *out = text;
    return PAWL_OK;
}

static pawl_code given(const char *store, const char *doing, pawl_error *err)
{
    return store && store[0] ? PAWL_OK
                             : pw_fail(err, PAWL_INVALID, "%s: the store is missing; \"sqlite:PATH\" or a path", doing);
}

pawl_code pawl_backup(const char *store, const char *file, pawl_progress_fn on_progress, void *context, char **out, pawl_error *err)
{
    told t = { on_progress, context };
    const pw_backup_progress progress = { tell, &t };
    pw_store_copy copy;
    pawl_code code = given(store, "backup", err);
    if (code == PAWL_OK)
        code = pw_store_backup(&copy, pw_str_of(store), pw_str_of(file ? file : ""), on_progress ? &progress : NULL, err);
    return code == PAWL_OK ? answer(out, "file", file, &copy, err) : code;
}

pawl_code pawl_restore(const char *file, const char *store, int replace, pawl_progress_fn on_progress, void *context, char **out,
                       pawl_error *err)
{
    told t = { on_progress, context };
    const pw_backup_progress progress = { tell, &t };
    pw_store_copy copy;
    pawl_code code = given(store, "restore", err);
    if (code == PAWL_OK)
        code = pw_store_restore(&copy, pw_str_of(file ? file : ""), pw_str_of(store), replace != 0, on_progress ? &progress : NULL, err);
    return code == PAWL_OK ? answer(out, "store", store, &copy, err) : code;
}

pawl_code pawl_check(const char *store, char **out, pawl_error *err)
{
    pw_store_copy copy;
    pawl_code code = given(store, "check", err);
    if (code == PAWL_OK)
        code = pw_store_check(&copy, pw_str_of(store), err);
    return code == PAWL_OK ? answer(out, "store", store, &copy, err) : code;
}
