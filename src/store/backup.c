/* backup.c - copies of a store, and whether one is whole: by its URI, as store.c opens it. */
#include "store/store_internal.h"

static pawl_code path_of(pw_str *out, pw_str uri, const char *what, pawl_error *err)
{
    pawl_code code = pw_store_uri_path(out, uri, err);
    if (code == PAWL_OK && out->len == 0)
        return pw_fail(err, PAWL_INVALID, "'memory:' is gone with its process: there is nothing to %s", what);
    return code;
}

/* A file is named by its path, or as a store is. */
static pawl_code file_of(pw_str *out, pw_str file, const char *what, pawl_error *err)
{
    if (file.len == 0)
        return pw_fail(err, PAWL_INVALID, "no file is named: give the backup's");
    return path_of(out, file, what, err);
}

pawl_code pw_store_backup(pw_store_copy *out, pw_str uri, pw_str file, const pw_backup_progress *progress, pawl_error *err)
{
    pw_str path, to;
    pawl_code code = path_of(&path, uri, "back up", err);
    if (code == PAWL_OK)
        code = file_of(&to, file, "back up into", err);
    return code == PAWL_OK ? pw_sqlite_backup(out, path, to, progress, err) : code;
}

pawl_code pw_store_restore(pw_store_copy *out, pw_str file, pw_str uri, bool replace, const pw_backup_progress *progress, pawl_error *err)
{
    pw_str path, from;
    pawl_code code = path_of(&path, uri, "restore into", err);
    if (code == PAWL_OK)
        code = file_of(&from, file, "restore", err);
    return code == PAWL_OK ? pw_sqlite_restore(out, from, path, replace, progress, err) : code;
}

pawl_code pw_store_check(pw_store_copy *out, pw_str uri, pawl_error *err)
{
    pw_str path;
    pawl_code code = path_of(&path, uri, "check", err);
    return code == PAWL_OK ? pw_sqlite_check(out, path, err) : code;
}
