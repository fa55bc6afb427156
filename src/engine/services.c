/* services.c - what people see and say of services: their circuit breakers. */
#include "engine/engine.h"

enum { SERVICE_MAX = 1024, REASON_MAX = 4096 };

/* ------------------------------------------------------------------ looking */

/* What holds: an operator's word goes before what was seen. */
static pw_breaker_state effective(pw_breaker_state state, pw_breaker_force forced)
{
    switch (forced) {
    case PW_BREAKER_AUTO:
        break;
    case PW_BREAKER_FORCED_OPEN:
        return PW_BREAKER_OPEN;
    case PW_BREAKER_FORCED_CLOSED:
        return PW_BREAKER_CLOSED;
    }
    return state;
}

pw_value pw_breaker_described(const pw_http_service *service, const pw_breaker_record *row,
                              pw_arena *arena)
{
    pw_object_builder object = { .arena = arena };
    pw_breaker_force forced = service ? service->forced : row->forced;
    pw_breaker_state state = service ? service->state : row->state;
    int64_t until = service ? service->open_until_ms : row->open_until_ms;
    pw_show_text(&object, "service", service ? service->service : row->service);
    pw_show_text(&object, "state", pw_str_of(pw_breaker_state_name(effective(state, forced))));
    if (forced != PW_BREAKER_AUTO)
        pw_show_text(&object, "forced", pw_str_of(pw_breaker_force_name(forced)));
    else if (state == PW_BREAKER_OPEN)
        pw_show_moment(&object, "openUntil", until);
    if (service) {
        pw_show_count(&object, "calls", service->calls);
        pw_show_count(&object, "failures", service->failures);
        pw_show_count(&object, "waiting", service->waiting);
        pw_show_count(&object, "active", service->active);
        pw_show_count(&object, "sent", service->sent);
        pw_show_count(&object, "failed", service->failed);
        pw_show_count(&object, "refused", service->refused);
        pw_show_text(&object, "lastError", service->last_error);
    }
    if (row) {
        pw_show_moment(&object, "changedAt", row->changed_ms);
        pw_show_text(&object, "changedBy", row->changed_by);
        pw_show_text(&object, "reason", row->reason);
    }
    return pw_object_end(&object);
}

/* Closed by itself, and nobody waits: nothing to look at. */
static bool is_dull(const pw_http_service *service, const pw_breaker_record *row)
{
    if (service)
        return service->state == PW_BREAKER_CLOSED && service->forced == PW_BREAKER_AUTO &&
               service->waiting == 0;
    return !row || (row->state == PW_BREAKER_CLOSED && row->forced == PW_BREAKER_AUTO);
}

pawl_code pw_breaker_view_read(pawl *p, pw_breaker_view *out, pw_arena *arena, pawl_error *err)
{
    *out = (pw_breaker_view){ .rows = NULL };
    pawl_code code = pw_store_breakers(p->store, &out->rows, &out->row_count, arena, err);
    if (code == PAWL_OK && p->http)
        code = pw_http_services(p->http, &out->services, &out->service_count, arena, err);
    return code;
}

bool pw_breaker_view_next(const pw_breaker_view *s, size_t *row, size_t *service,
                          const pw_http_service **its_service, const pw_breaker_record **its_row)
{
    const pw_breaker_record *r = *row < s->row_count ? &s->rows[*row] : NULL;
    const pw_http_service *d = *service < s->service_count ? &s->services[*service] : NULL;
    if (!r && !d)
        return false;
    int order = !r ? 1 : !d ? -1 : pw_str_cmp(r->service, d->service);
    *its_row = order <= 0 ? r : NULL;
    *its_service = order >= 0 ? d : NULL;
    *row += order <= 0;
    *service += order >= 0;
    return true;
}

pw_value pw_breaker_view_find(const pw_breaker_view *s, pw_str name, pw_arena *arena)
{
    const pw_http_service *service;
    const pw_breaker_record *row;
    for (size_t r = 0, d = 0; pw_breaker_view_next(s, &r, &d, &service, &row);)
        if ((service && pw_str_eq(service->service, name)) || (row && pw_str_eq(row->service, name)))
            return pw_breaker_described(service, row, arena);
    return (pw_value){ 0 };
}

static pawl_code list(pawl *p, bool all, char **out, pw_arena *arena, pawl_error *err)
{
    pw_breaker_view s;
    pw_array_builder page = { .arena = arena };
    const pw_http_service *service;
    const pw_breaker_record *row;
    pawl_code code = pw_breaker_view_read(p, &s, arena, err);
    if (code != PAWL_OK)
        return code;
    for (size_t r = 0, d = 0; pw_breaker_view_next(&s, &r, &d, &service, &row);)
        if (all || !is_dull(service, row))
            pw_array_add(&page, pw_breaker_described(service, row, arena));
    const pw_member members[] = { { PW_LIT("breakers"), pw_array_end(&page) } };
    return pw_give_json(out, pw_object_of(arena, members, PW_LENGTH(members)), arena, err);
}

pawl_code pawl_breakers(pawl *p, int all, char **out, pawl_error *err)
{
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "breakers: the pawl or out is NULL");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_code code = list(p, all != 0, out, &arena, err);
    pw_arena_done(&arena);
    return code;
}

/* ------------------------------------------------------------------ forcing */

typedef struct force {
    pw_breaker_force how;
    bool unknown; /* the driver knows no such service */
    bool missing; /* ... and there is no row either */
    pw_str actor, reason;
    int64_t now_ms;
} force;

static bool change(void *context, pw_breaker_record *record)
{
    force *f = context;
    f->missing = f->unknown && record->epoch == 0 && f->how != PW_BREAKER_FORCED_OPEN;
    bool same = record->forced == f->how;
    if (f->how == PW_BREAKER_AUTO)
        same = same && record->state == PW_BREAKER_CLOSED;
    else
        same =
            same && pw_str_eq(record->changed_by, f->actor) && pw_str_eq(record->reason, f->reason);
    if (f->missing || (same && record->epoch > 0))
        return false;
    record->state = PW_BREAKER_CLOSED;
    record->open_until_ms = record->probe_until_ms = -1;
    record->probe_by = (pw_str){ 0 };
    record->forced = f->how;
    record->changed_ms = f->now_ms;
    record->changed_by = f->actor;
    record->reason = f->reason;
    return true;
}

static pawl_code read_force(force *out, pw_str *service, const char *name, const char *how,
                            const char *reason, const pawl_request *request, pw_arena *arena,
                            pawl_error *err)
{
    pw_command who = { .code = PAWL_OK };
    pawl_code code = pw_text_check(service, name, "breaker: service", SERVICE_MAX, true, err);
    if (code == PAWL_OK && !pw_breaker_force_parse(&out->how, pw_str_of(how)))
        code = pw_fail(err, PAWL_INVALID, "breaker: force is open, closed or auto, not '%.40s'",
                       how ? how : "");
    if (code == PAWL_OK)
        code = pw_text_check(&out->reason, reason, "breaker: reason", REASON_MAX, false, err);
    if (code == PAWL_OK)
        code = pw_request_read(&who, request, NULL, arena, err);
    out->actor = who.event.actor.len ? who.event.actor : PW_LIT("system");
    return code;
}

static pawl_code force_one(pawl *p, force *f, pw_str service, char **out, pw_arena *arena,
                           pawl_error *err)
{
    pw_breaker_view s;
    pw_breaker_record row;
    pawl_code code = pw_breaker_view_read(p, &s, arena, err);
    if (code != PAWL_OK)
        return code;
    size_t at = 0;
    while (at < s.service_count && !pw_str_eq(s.services[at].service, service))
        at++;
    f->unknown = at == s.service_count;
    code = pw_breakers_change(p->breakers, service, change, f, &row, arena, err);
    if (code != PAWL_OK)
        return code;
    if (f->missing)
        return pw_fail_reason(err, PAWL_NOT_FOUND, PAWL_REASON_NO_SERVICE,
                              "no call ever went to a service '%.100s'", service.ptr);
    pw_http_service now = { .state = PW_BREAKER_CLOSED };
    if (!f->unknown)
        now = s.services[at]; /* what it counts stays; what it is the row says */
    now.state = row.state;
    now.forced = row.forced;
    now.open_until_ms = row.open_until_ms;
    return out ? pw_give_json(out, pw_breaker_described(f->unknown ? NULL : &now, &row, arena),
                              arena, err)
               : PAWL_OK;
}

pawl_code pawl_breaker_force(pawl *p, const char *service, const char *how, const char *reason,
                             const pawl_request *request, char **out, pawl_error *err)
{
    force f = { .now_ms = 0 };
    pw_str name;
    pawl_code code = pw_engine_may_write(p, err);
    if (code != PAWL_OK)
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    f.now_ms = pw_engine_now(p);
    code = read_force(&f, &name, service, how, reason, request, &arena, err);
    if (code == PAWL_OK)
        code = force_one(p, &f, name, out, &arena, err);
    pw_arena_done(&arena);
    return code;
}
