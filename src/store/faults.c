/* faults.c - what all stores have in common for incidents, calls by their key, and breakers: what they refuse, what they
 * say. */
#include "store/store_internal.h"

pawl_code pw_store_incidents(pw_store *store, const pw_incident_filter *filter, pw_incident_row **out, size_t *count,
                             pw_str *next, pw_arena *arena, pawl_error *err)
{
    (void)store, (void)filter, (void)arena;
    *out = NULL;
    *count = 0;
    *next = (pw_str){ 0 };
    return pw_fail(err, PAWL_STATE, "incidents are not there yet");
}

pawl_code pw_store_incident_get(pw_store *store, pw_str instance, uint64_t step, pw_incident_row *out, pw_arena *arena,
                                pawl_error *err)
{
    (void)store, (void)instance, (void)step, (void)out, (void)arena;
    return pw_fail(err, PAWL_STATE, "incidents are not there yet");
}

pawl_code pw_store_call_get(pw_store *store, pw_str instance, pw_str key, pw_call_row *out, pw_arena *arena,
                            pawl_error *err)
{
    pw_call_row *rows;
    size_t count;
    pawl_code code = pw_store_calls(store, instance, false, &rows, &count, arena, err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++)
        if (pw_str_eq(rows[i].intent.key, key)) {
            *out = rows[i];
            return PAWL_OK;
        }
    return code == PAWL_OK ? pw_fail(err, PAWL_NOT_FOUND, "there is no such call") : code;
}

pawl_code pw_store_breakers(pw_store *store, pw_breaker_record **out, size_t *count, pw_arena *arena, pawl_error *err)
{
    (void)store, (void)arena, (void)err;
    *out = NULL;
    *count = 0;
    return PAWL_OK;
}

pawl_code pw_store_breaker_set(pw_store *store, const pw_breaker_record *record, bool *won, pw_breaker_record *out,
                               pw_arena *arena, pawl_error *err)
{
    (void)store, (void)arena, (void)err;
    *won = true;
    *out = *record;
    return PAWL_OK;
}
