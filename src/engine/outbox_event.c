/* outbox_event.c - an event as it is published; what is stored is not changed by it. */
#include "engine/engine.h"
#include "engine/notes.h"
#include "base/json.h"

/* Of the event's own span, if the instance is traced. */
static pw_str make_trace(const pawl *p, const pw_publish_row *row, pw_arena *arena)
{
    char base[PW_TRACE_SIZE], made[PW_TRACE_SIZE];
    if (!pw_trace_base(base, p, row->event.instance, row->trace))
        return (pw_str){ "", 0 };
    pw_trace_of_event(made, base, row->event.instance, row->event.sequence, row->ordinal);
    return pw_arena_str(arena, pw_str_of(made));
}

pawl_code pw_outbox_payload(pw_str *out, pw_str *trace, const pawl *p, const pw_publish_row *row,
                            pw_arena *arena, pawl_error *err)
{
    pw_value event;
    pawl_code code = pw_json_parse(&event, row->event.event.payload, NULL, arena, err);
    if (code == PAWL_INVALID || (code == PAWL_OK && !pw_is(event, PW_OBJECT)))
        return pw_fail(err, PAWL_CORRUPT, "event '" PW_FMT "': its payload is damaged",
                       PW_ARG(row->event.event.id));
    if (code != PAWL_OK)
        return code;
    pw_object_builder object = { .arena = arena };
    const pw_member *members = pw_members(event);
    for (uint32_t i = 0; i < event.count; i++)
        pw_object_add(&object, members[i].key, members[i].value);
    pw_object_add(&object, PW_LIT("pawlinstance"), pw_string_ref(row->event.instance));
    pw_object_add(&object, PW_LIT("pawlsequence"), pw_int((int64_t)row->event.sequence));
    pw_object_add(&object, PW_LIT("pawlordinal"), pw_int((int64_t)row->ordinal));
    if (row->requeued)
        pw_object_add(&object, PW_LIT("pawlrequeued"), pw_bool(true));
    *trace = pw_get_text(event, "traceparent");
    if (pw_is(pw_get_lit(event, "traceparent"), PW_NONE)) {
        *trace = make_trace(p, row, arena);
        if (trace->len > 0)
            pw_object_add(&object, PW_LIT("traceparent"), pw_string_ref(*trace));
    }
    *out = pw_json_text(arena, pw_object_end(&object), PW_JSON_COMPACT);
    return arena->failed ? pw_no_memory(err) : PAWL_OK;
}
