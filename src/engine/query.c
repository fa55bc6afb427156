/* query.c - looking: what the store holds, as JSON. Works without owning the store too; what only
 * the owner knows - which functions are registered, what an instance struggles with - is added
 * where this process is the owner. */
#include "engine/engine.h"
#include "engine/incidents.h"
#include "base/json.h"

enum {
    LIST_DEFAULT = 100,
    NAMES_MAX = 1000, /* of one filter */
    LOG_PAGE_BYTES = 8 << 20, /* a page of the log ends behind the step that comes to more: half of
                               * what the socket takes */
};

PAWL_API pawl_code pawl_health(pawl *p, pawl_error *err)
{
    pawl_error why = { .code = PAWL_OK };
    if (!p)
        return pw_fail(err, PAWL_INVALID, "pawl_health needs a pawl");
    if (!pw_engine_degraded(p, &why))
        return pw_disk_is_full(p) ? pw_disk_allows(p, false, err) : PAWL_OK; /* which refuses */
    if (err)
        *err = why;
    return why.code;
}

/* ------------------------------------------------------------------ instances */

static pawl_code add_head(pw_object_builder *object, const pw_instance_row *row, pawl_error *err)
{
    pw_show_text(object, "id", row->id);
    pw_show_text(object, "namespace", row->namespace_);
    pw_show_text(object, "name", row->name);
    pw_show_text(object, "version", row->version);
    pw_show_text(object, "status", pw_str_of(pw_status_name(row->status)));
    pw_show_text(object, "key", row->business_key);
    pw_show_text(object, "correlation", row->correlation);
    pw_show_text(object, "parent", row->parent);
    pawl_code code = pw_show_json(object, "labels", row->labels, err);
    pw_show_moment(object, "createdAt", row->created_ms);
    pw_show_moment(object, "updatedAt", row->updated_ms);
    pw_show_moment(object, "endedAt", row->ended_ms);
    pw_show_moment(object, "cleanedAt", row->cleaned_ms);
    pw_object_add(object, PW_LIT("token"), pw_int((int64_t)row->token));
    pw_show_moment(object, "wakeAt", row->wake_at == PW_WAKE_NEVER ? 0 : row->wake_at);
    return code;
}

static pawl_code add_tail(pw_object_builder *object, const pw_instance_row *row, pawl_error *err)
{
    pawl_code code = pw_show_json(object, "output", row->output, err);
    return code == PAWL_OK ? pw_show_json(object, "error", row->error, err) : code;
}

/* ------------------------------------------------------------------ what it waits for */

typedef struct waits {
    pawl *p;
    pw_str id;
    pw_arena *arena;
    const pw_state *state;
    pw_bookmark_row *bookmarks;
    size_t bookmark_count;
    pw_call_row *calls;
    size_t call_count;
} waits;

static void set(const waits *w, pw_value *wait, const char *name, pw_value v)
{
    if (!pw_is(v, PW_NONE))
        *wait = pw_with(w->arena, *wait, pw_str_of(name), v);
}

static pw_value text_or_none(pw_str text)
{
    return text.len ? pw_string_ref(text) : (pw_value){ 0 };
}

static pw_value json_or_none(const waits *w, pw_str text)
{
    pw_value v = { 0 };
    if (text.len && pw_json_parse(&v, text, NULL, w->arena, NULL) != PAWL_OK)
        v = (pw_value){ 0 };
    return v;
}

static void add_bookmark(const waits *w, pw_value *wait, int64_t visit)
{
    for (size_t i = 0; i < w->bookmark_count; i++) {
        const pw_bookmark *b = &w->bookmarks[i].bookmark;
        if ((int64_t)b->visit != visit)
            continue;
        pw_value payload = json_or_none(w, b->payload);
        set(w, wait, "key", text_or_none(b->key));
        set(w, wait, "assignedTo", text_or_none(b->assigned_to));
        set(w, wait, "candidates", json_or_none(w, b->candidates));
        set(w, wait, "title", pw_get_lit(payload, "title"));
        if (b->due_at >= 0)
            set(w, wait, "dueAt", pw_string_ref(pw_moment_text(w->arena, b->due_at)));
        return;
    }
}

/* As the call of a function around it may name it, too. */
static pw_str service_of(const waits *w, const pw_call_row *row)
{
    pw_resilience resilience;
    if (pw_state_resilience(&resilience, w->state, row->intent.visit) && resilience.service.len)
        return resilience.service;
    return pw_http_service_name(w->arena, row->intent.endpoint);
}

/* Where a call is: only its owner knows. */
static void add_place(const waits *w, pw_value *wait, int64_t visit)
{
    static const char *const places[] = { [PW_HTTP_QUEUED] = "queued", [PW_HTTP_HELD] = "held", [PW_HTTP_SENT] = "sent" };
    pw_http_place place;
    if (!w->p->http || !pw_http_look(w->p->http, w->id, (uint64_t)visit, &place, w->arena))
        return;
    pw_value until = { 0 };
    if (place.where == PW_HTTP_HELD && place.until_ms > 0)
        until = pw_string_ref(pw_moment_text(w->arena, place.until_ms));
    const pw_member breaker[] = { { PW_LIT("state"), pw_string_ref(pw_str_of(pw_breaker_state_name(place.state))) },
                                  { PW_LIT("until"), until } };
    set(w, wait, "service", text_or_none(place.service));
    set(w, wait, "where", pw_string_ref(pw_str_of(places[place.where])));
    set(w, wait, "breaker", pw_object_of(w->arena, breaker, PW_LENGTH(breaker)));
}

static void add_call(const waits *w, pw_value *wait, int64_t visit)
{
    for (size_t i = w->call_count; i-- > 0;) { /* the newest attempt */
        const pw_call_row *row = &w->calls[i];
        if ((int64_t)row->intent.visit != visit)
            continue;
        set(w, wait, "method", text_or_none(row->intent.method));
        set(w, wait, "endpoint", text_or_none(row->intent.endpoint));
        set(w, wait, "attempt", pw_int(row->intent.attempt));
        set(w, wait, "since", pw_string_ref(pw_moment_text(w->arena, row->created_ms)));
        set(w, wait, "service", text_or_none(service_of(w, row)));
        break;
    }
    add_place(w, wait, visit);
}

/* Where a job is, and why nobody does it if nobody does. */
static void add_job(const waits *w, pw_value *wait, int64_t visit)
{
    pw_ticket_row row;
    pw_str name = pw_get_text(*wait, "function");
    if (w->p->mode != PAWL_OWN || pw_registry_find(w->p->registry, name, NULL))
        return;
    if (!pw_is(pw_get_lit(*wait, "dueAt"), PW_NONE)) { /* the next attempt: none before its time */
        set(w, wait, "job", pw_string_ref(PW_LIT("delayed")));
        return;
    }
    pw_board *board = pw_jobs_board(w->p->jobs);
    if (!pw_board_ticket(board, w->id, pw_store_partition(w->id), (uint64_t)visit, &row, w->arena))
        return; /* another node's, or not read yet */
    pw_value job = pw_jobs_described(w->p, &row, w->arena);
    set(w, wait, "job", pw_get_lit(job, "state"));
    set(w, wait, "worker", pw_get_lit(job, "worker"));
    set(w, wait, "leaseUntil", pw_get_lit(job, "leaseUntil"));
    set(w, wait, "progress", pw_get_lit(job, "progress"));
    if (!row.leased && !pw_board_has_worker(board, name))
        set(w, wait, "reason",
            text_or_none(pw_arena_printf(w->arena, "no worker polls for '" PW_FMT "'", PW_ARG(name))));
}

static pw_value enrich(const waits *w, pw_value wait)
{
    int64_t visit = 0;
    (void)pw_integer(pw_get_lit(wait, "visit"), &visit);
    pw_str kind = pw_get_text(wait, "kind");
    if (pw_str_is(kind, "user-action"))
        add_bookmark(w, &wait, visit);
    else if (pw_str_is(kind, "call"))
        add_call(w, &wait, visit);
    else if (pw_str_is(kind, "activity"))
        add_job(w, &wait, visit);
    return wait;
}

static pw_value trouble_wait(const waits *w, const pawl_error *error)
{
    pw_str text = pw_arena_str(w->arena, pw_str_of(error->message));
    const pw_member members[] = { { PW_LIT("kind"), pw_string_ref(PW_LIT("trouble")) },
                                  { PW_LIT("code"), pw_string_ref(pw_str_of(pawl_code_name(error->code))) },
                                  { PW_LIT("reason"), text_or_none(text) } };
    return pw_object_of(w->arena, members, PW_LENGTH(members));
}

/* How many steps of its plan are left, if there are any. */
static pawl_code add_undo(pawl *p, pw_object_builder *object, const pw_instance_row *row, const pw_state *state,
                          pawl_error *err)
{
    uint64_t left = 0;
    if (pw_state_undo_count(state) == 0)
        return PAWL_OK;
    pawl_code code = pw_plan_left(p, row->id, (pw_str){ 0 }, &left, err);
    if (left > 0)
        pw_object_add(object, PW_LIT("undo"), pw_int((int64_t)left));
    return code;
}

/* Input, data and waits, out of the state. A state that cannot be read is a reason to be shown, not to
 * fail. */
static pawl_code add_state(pawl *p, pw_object_builder *object, const pw_instance_row *row,
                           pw_program **program, pw_value *found_waits, pawl_error *err)
{
    waits w = { .p = p, .id = row->id, .arena = object->arena };
    pw_array_builder list = { .arena = object->arena };
    pw_state *state = NULL;
    const pw_payload_source payloads = pw_store_payloads(p->store, row->id);
    pawl_error error = { .code = PAWL_OK };
    pawl_code code = pw_programs_get(p->programs, p->store, row->namespace_, row->name,
                                     row->version, false, program, NULL, &error);
    if (code == PAWL_NOT_FOUND)
        code = pw_live_undefined(row, code, &error);
    if (code == PAWL_OK)
        code = pw_state_parse_branches(&state, row->state, row->branches, *program, &payloads,
                                       object->arena, &error);
    if (code == PAWL_CORRUPT || code == PAWL_SCHEMA || code == PAWL_NOT_FOUND) {
        pw_array_add(&list, trouble_wait(&w, &error));
        *found_waits = pw_array_end(&list);
        return PAWL_OK;
    }
    if (code == PAWL_OK)
        code = pw_store_bookmarks(p->store, row->id, true, &w.bookmarks, &w.bookmark_count, w.arena,
                                  &error);
    if (code == PAWL_OK)
        code = pw_store_calls(p->store, row->id, true, &w.calls, &w.call_count, w.arena, &error);
    if (code != PAWL_OK) {
        if (err)
            *err = error;
        return code;
    }
    w.state = state;
    pw_object_add(object, PW_LIT("input"), pw_state_input(state));
    if (!pw_status_ended(row->status) || pw_state_has_incident(state))
        pw_object_add(object, PW_LIT("data"), pw_state_data(state, w.arena));
    code = add_undo(p, object, row, state, err);
    if (code != PAWL_OK)
        return code;
    pw_value all = pw_state_waits(state, *program, object->arena);
    for (size_t i = 0; i < all.count; i++)
        pw_array_add(&list, enrich(&w, pw_item(all, i)));
    if (p->mode == PAWL_OWN && pw_engine_trouble(p, row->id, &error))
        pw_array_add(&list, trouble_wait(&w, &error));
    *found_waits = pw_array_end(&list);
    return PAWL_OK;
}

pawl_code pw_give_json(char **out, pw_value v, const pw_arena *arena, pawl_error *err)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_json_write(&buf, v, PW_JSON_COMPACT);
    char *text = arena->failed ? NULL : pw_buf_take(&buf);
    pw_buf_done(&buf);
    if (!text)
        return pw_no_memory(err);
    if (!pw_utf8_valid(pw_str_of(text))) { /* text columns are copied as they are stored */
        pw_free(text);
        return pw_fail(err, PAWL_CORRUPT,
                       "a stored text is not UTF-8; restore the store from a backup");
    }
    *out = text;
    return PAWL_OK;
}

static pawl_code no_instance(const char *id, pawl_error *err)
{
    return pw_fail_reason(err, PAWL_NOT_FOUND, PAWL_REASON_NO_INSTANCE, "there is no instance '%.60s'", id);
}

static pawl_code show(pawl *p, const char *id, char **out, pw_arena *arena, pw_program **program,
                      pawl_error *err)
{
    pw_instance_row row = { 0 };
    pawl_code code = pw_store_instance_get(p->store, pw_str_of(id), true, &row, arena, err);
    if (code == PAWL_NOT_FOUND)
        return no_instance(id, err);
    if (code != PAWL_OK)
        return code;
    pw_object_builder object = { .arena = arena };
    pw_value list = { 0 };
    code = add_head(&object, &row, err);
    if (code == PAWL_OK && !row.cleaned_ms)
        code = add_state(p, &object, &row, program, &list, err);
    if (code == PAWL_OK)
        code = add_tail(&object, &row, err);
    pw_value incident = { 0 };
    if (code == PAWL_OK && (row.status == PW_FAULTED || row.status == PW_SUSPENDED))
        code = pw_incident_open(p, row.id, &incident, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_object_add(&object, PW_LIT("waits"), list);
    pw_object_add(&object, PW_LIT("incident"), incident);
    return pw_give_json(out, pw_object_end(&object), arena, err);
}

/* For who looks at one instance. */
static pawl_code check_look(const pawl *p, const char *what, const char *id, char **out, pawl_error *err)
{
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "%s: the pawl or out is NULL", what);
    if (!id || !id[0])
        return pw_fail(err, PAWL_INVALID, "the instance's id is missing");
    return strlen(id) == PW_ID_LENGTH ? PAWL_OK : no_instance(id, err);
}

pawl_code pawl_show(pawl *p, const char *id, char **out, pawl_error *err)
{
    pawl_code code = check_look(p, "show", id, out, err);
    if (code != PAWL_OK)
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_program *program = NULL;
    code = show(p, id, out, &arena, &program, err);
    pw_program_unref(program);
    pw_arena_done(&arena);
    return code;
}

/* Its row, without what it takes to make its state. */
static pawl_code read_row(pawl *p, const char *id, pw_instance_row *row, pw_arena *arena, pawl_error *err)
{
    pawl_code code = pw_store_instance_get(p->store, pw_str_of(id), false, row, arena, err);
    return code == PAWL_NOT_FOUND ? no_instance(id, err) : code;
}

pawl_code pawl_head(pawl *p, const char *id, char **out, pawl_error *err)
{
    pawl_code code = check_look(p, "head", id, out, err);
    if (code != PAWL_OK)
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_instance_row row = { 0 };
    pw_object_builder object = { .arena = &arena };
    code = read_row(p, id, &row, &arena, err);
    if (code == PAWL_OK)
        code = add_head(&object, &row, err);
    if (code == PAWL_OK)
        code = pw_give_json(out, pw_object_end(&object), &arena, err);
    pw_arena_done(&arena);
    return code;
}

pawl_code pawl_output(pawl *p, const char *id, char **out, pawl_error *err)
{
    pawl_code code = check_look(p, "output", id, out, err);
    if (code != PAWL_OK)
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_instance_row row = { 0 };
    code = read_row(p, id, &row, &arena, err);
    if (code == PAWL_OK && row.status == PW_COMPLETED)
        code = pw_cleanup_check_whole(&row, err);
    if (code == PAWL_OK && row.status != PW_COMPLETED)
        code = pw_fail_reason(err, PAWL_STATE, pw_status_ended(row.status) ? PAWL_REASON_ENDED : PAWL_REASON_NOT_ENDED,
                              "the instance is %s; only one that has completed has an output",
                              pw_status_name(row.status));
    if (code == PAWL_OK) {
        *out = pw_strdup(row.output.len ? row.output : PW_LIT("null"));
        code = *out ? PAWL_OK : pw_no_memory(err);
    }
    pw_arena_done(&arena);
    return code;
}

/* ------------------------------------------------------------------ list */

pawl_code pw_names_read(const pw_str **out, size_t *count, bool *none, const char *text, const char *what, pw_arena *arena,
                        pawl_error *err)
{
    pw_value list = { 0 };
    *out = NULL;
    *count = 0;
    *none = false;
    if (!text)
        return PAWL_OK;
    pawl_code code = pw_json_parse(&list, pw_str_of(text), NULL, arena, err);
    if (code != PAWL_OK)
        return pw_error_context(err, code, "%s", what);
    if (!pw_is(list, PW_ARRAY) || list.count > NAMES_MAX)
        return pw_fail(err, PAWL_INVALID, "%s must be an array of at most %d names", what, NAMES_MAX);
    pw_str *names = PW_NEW_ARRAY(arena, pw_str, list.count + 1);
    if (!names)
        return pw_no_memory(err);
    for (uint32_t i = 0; i < list.count; i++) {
        names[i] = pw_text(pw_item(list, i));
        if (!names[i].len)
            return pw_fail(err, PAWL_INVALID, "%s must be an array of names; item %u is none", what, i + 1);
    }
    *out = names;
    *count = list.count;
    *none = list.count == 0;
    return PAWL_OK;
}

pawl_code pw_labels_read(pw_value *out, const char *text, const char *what, pw_arena *arena, pawl_error *err)
{
    *out = (pw_value){ 0 };
    if (!text)
        return PAWL_OK;
    pawl_code code = pw_json_parse(out, pw_str_of(text), NULL, arena, err);
    if (code != PAWL_OK)
        return pw_error_context(err, code, "%s", what);
    if (!pw_is(*out, PW_OBJECT))
        return pw_fail(err, PAWL_INVALID, "%s must be an object of texts, not %s", what, pw_type_name(*out));
    if (out->count > PW_LABELS_MAX)
        return pw_fail_reason(err, PAWL_INVALID, PAWL_REASON_TOO_LARGE, "%s are %u; at most %u", what, out->count,
                              PW_LABELS_MAX);
    const pw_member *members = pw_members(*out);
    for (uint32_t i = 0; i < out->count; i++) {
        pw_str name = members[i].key, value = pw_text(members[i].value);
        if (!pw_is(members[i].value, PW_STRING))
            return pw_fail(err, PAWL_INVALID, "%s: '%.*s' must be a text, not %s", what, (int)(name.len > 60 ? 60 : name.len),
                           name.ptr, pw_type_name(members[i].value));
        if (!name.len || name.len > PW_LABEL_MAX || value.len > PW_LABEL_MAX)
            return pw_fail_reason(err, PAWL_INVALID, PAWL_REASON_TOO_LARGE,
                                  "%s: a name has 1 to %u bytes and a value at most %u", what, PW_LABEL_MAX, PW_LABEL_MAX);
    }
    return PAWL_OK;
}

static pawl_code read_labels(pw_instance_filter *filter, const char *text, pw_arena *arena, pawl_error *err)
{
    pw_value labels;
    pawl_code code = pw_labels_read(&labels, text, "list: labels", arena, err);
    if (code != PAWL_OK || labels.count == 0)
        return code;
    pw_label *wanted = PW_NEW_ARRAY(arena, pw_label, labels.count);
    if (!wanted)
        return pw_no_memory(err);
    for (uint32_t i = 0; i < labels.count; i++)
        wanted[i] = (pw_label){ pw_members(labels)[i].key, pw_text(pw_members(labels)[i].value) };
    filter->labels = wanted;
    filter->label_count = labels.count;
    return PAWL_OK;
}

pawl_code pw_page_check(uint32_t *out, uint32_t given, const char *what, pawl_error *err)
{
    *out = given ? given : LIST_DEFAULT;
    return given <= PW_PAGE_MAX ? PAWL_OK
                                : pw_fail(err, PAWL_INVALID, "%s: limit must be at most %u, not %u", what, PW_PAGE_MAX, given);
}

void pw_name_split(pw_str *namespace_, pw_str *name, const char *text)
{
    *name = pw_str_of(text);
    *namespace_ = (pw_str){ "", 0 };
    const char *slash = name->len ? memchr(name->ptr, '/', name->len) : NULL;
    if (!slash)
        return;
    *namespace_ = (pw_str){ name->ptr, (size_t)(slash - name->ptr) };
    *name = pw_str_of(slash + 1);
}

pawl_code pw_list_filter(pw_instance_filter *out, bool *none, const pawl_list_options *given, const char *what,
                         pw_arena *arena, pawl_error *err)
{
    pawl_list_options options;
    pawl_code code = pw_options_take(&options, sizeof options, given, false, "pawl_list_options", err);
    if (code != PAWL_OK)
        return code;
    *out = (pw_instance_filter){ .after = pw_str_of(options.after),
                                 .parent = pw_str_of(options.parent),
                                 .business_key = pw_str_of(options.key),
                                 .correlation = pw_str_of(options.correlation),
                                 .schedules = options.schedules != 0 };
    pw_name_split(&out->namespace_, &out->name, options.name);
    code = pw_page_check(&out->limit, options.limit, what, err);
    if (code == PAWL_OK && options.status) {
        out->by_status = true;
        if (!pw_status_parse(&out->status, pw_str_of(options.status)))
            code = pw_fail(
                err, PAWL_INVALID,
                "%s: there is no status '%.40s'; pending, running, waiting, suspended, "
                "compensating, completed, faulted, cancelled or compensated",
                what, options.status);
    }
    if (code == PAWL_OK)
        code = pw_names_read(&out->namespaces, &out->namespace_count, none, options.namespaces, "list: namespaces", arena,
                             err);
    return code == PAWL_OK ? read_labels(out, options.labels, arena, err) : code;
}

static pawl_code list(pawl *p, const pawl_list_options *options, char **out, pw_arena *arena, pawl_error *err)
{
    pw_instance_filter filter;
    pw_instance_row *rows = NULL;
    size_t count = 0;
    pw_str next = { 0 };
    bool none = false;
    pw_array_builder page = { .arena = arena };
    pawl_code code = pw_list_filter(&filter, &none, options, "list", arena, err);
    if (code == PAWL_OK && !none)
        code = pw_store_instance_list(p->store, &filter, &rows, &count, &next, arena, err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++) {
        pw_object_builder object = { .arena = arena };
        code = add_head(&object, &rows[i], err);
        if (code == PAWL_OK)
            code = add_tail(&object, &rows[i], err);
        pw_array_add(&page, pw_object_end(&object));
    }
    if (code != PAWL_OK)
        return code;
    pw_object_builder object = { .arena = arena };
    pw_object_add(&object, PW_LIT("instances"), pw_array_end(&page));
    pw_show_text(&object, "next", next);
    return pw_give_json(out, pw_object_end(&object), arena, err);
}

pawl_code pawl_list(pawl *p, const pawl_list_options *options, char **out, pawl_error *err)
{
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "list: the pawl or out is NULL");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_code code = list(p, options, out, &arena, err);
    pw_arena_done(&arena);
    return code;
}

pawl_code pawl_count(pawl *p, const pawl_list_options *options, char **out, pawl_error *err)
{
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "count: the pawl or out is NULL");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_instance_filter filter;
    uint64_t counts[PW_STATUS_COUNT] = { 0 }, total = 0;
    bool none = false;
    pw_object_builder statuses = { .arena = &arena };
    pawl_code code = pw_list_filter(&filter, &none, options, "count", &arena, err);
    if (code == PAWL_OK && !none)
        code = pw_store_instance_count(p->store, &filter, counts, err);
    for (int i = 0; i < PW_STATUS_COUNT; i++) {
        total += counts[i];
        if (counts[i] > 0)
            pw_object_add(&statuses, pw_str_of(pw_status_name((pw_status)i)), pw_int((int64_t)counts[i]));
    }
    const pw_member members[] = { { PW_LIT("total"), pw_int((int64_t)total) },
                                  { PW_LIT("statuses"), pw_object_end(&statuses) } };
    if (code == PAWL_OK)
        code = pw_give_json(out, pw_object_of(&arena, members, PW_LENGTH(members)), &arena, err);
    pw_arena_done(&arena);
    return code;
}

/* ------------------------------------------------------------------ log */

/* What is written must be JSON, whatever the row holds; large values are in their places again. */
static pawl_code write_entries(pw_buf *buf, const pw_step_row *row,
                               const pw_payload_source *payloads, pw_arena *arena, pawl_error *err)
{
    if (!row->entries.len) {
        pw_buf_text(buf, "[]");
        return PAWL_OK;
    }
    pw_value entries = { 0 };
    pawl_code code = pw_entries_parse(&entries, row->entries, payloads, arena, err);
    if (code != PAWL_OK)
        return code;
    if (!pw_is(entries, PW_ARRAY))
        return PAWL_INVALID;
    if (pw_payload_refers(row->entries))
        pw_json_write(buf, entries, PW_JSON_COMPACT);
    else
        pw_buf_str(buf, row->entries);
    return PAWL_OK;
}

static pawl_code write_step(pw_buf *buf, const pw_step_row *row, const pw_payload_source *payloads,
                            pw_arena *arena, pawl_error *err)
{
    char at[PW_MOMENT_SIZE];
    pw_moment_write(at, row->at_ms);
    pw_buf_printf(
        buf, "{\"sequence\":%llu,\"at\":\"%s\",\"event\":", (unsigned long long)row->sequence, at);
    pw_json_write_string(buf, row->event);
    pw_buf_text(buf, ",\"actor\":");
    pw_json_write_string(buf, row->actor.len ? row->actor : PW_LIT("system"));
    pw_buf_text(buf, ",\"correlation\":");
    pw_json_write_string(buf, row->correlation);
    pw_buf_text(buf, ",\"entries\":");
    pawl_code code = PAWL_INVALID;
    pw_arena_mark mark = pw_arena_at(arena);
    if (pw_utf8_valid(row->event) && pw_utf8_valid(row->actor) && pw_utf8_valid(row->correlation))
        code = write_entries(buf, row, payloads, arena, err);
    pw_arena_rewind(arena, mark);
    pw_buf_char(buf, '}');
    if (code == PAWL_CORRUPT)
        return pw_error_context(err, code, "step %llu of the execution log",
                                (unsigned long long)row->sequence);
    if (code != PAWL_INVALID)
        return code;
    return pw_fail(err, PAWL_CORRUPT,
                   "step %llu of the execution log cannot be read; restore the store from a backup",
                   (unsigned long long)row->sequence);
}

/* Is there a step `from`? */
static pawl_code more_steps(pawl *p, pw_str id, uint64_t from, bool *more, pw_arena *arena,
                            pawl_error *err)
{
    pw_step_row *rows = NULL;
    size_t count = 0;
    pawl_code code = pw_store_steps(p->store, id, from, 1, &rows, &count, arena, err);
    *more = count > 0;
    return code;
}

pawl_code pawl_log(pawl *p, const char *id, uint64_t from, uint32_t limit, char **out,
                   pawl_error *err)
{
    pawl_code code = check_look(p, "log", id, out, err);
    if (code != PAWL_OK)
        return code;
    uint32_t most = limit == 0 || limit > PW_PAGE_MAX ? PW_PAGE_MAX : limit;
    uint64_t first = from ? from : 1;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_step_row *rows = NULL;
    size_t count = 0;
    bool more = false;
    code = pw_store_steps(p->store, pw_str_of(id), first, most, &rows, &count, &arena, err);
    if (code == PAWL_OK && count == 0) {
        pw_instance_row row = { 0 };
        code = read_row(p, id, &row, &arena, err);
    }
    const pw_payload_source payloads = pw_store_payloads(p->store, pw_str_of(id));
    uint64_t next = first;
    size_t written = 0;
    pw_buf_text(&buf, "{\"steps\":[");
    while (written < count && code == PAWL_OK && buf.len <= LOG_PAGE_BYTES) {
        if (written)
            pw_buf_char(&buf, ',');
        code = write_step(&buf, &rows[written], &payloads, &arena, err);
        next = rows[written++].sequence + 1;
    }
    more = written < count;
    if (code == PAWL_OK && !more && count == most)
        code = more_steps(p, pw_str_of(id), next, &more, &arena, err);
    if (code == PAWL_OK) {
        pw_buf_char(&buf, ']');
        if (more)
            pw_buf_printf(&buf, ",\"next\":%llu", (unsigned long long)next);
        pw_buf_char(&buf, '}');
        char *text = pw_buf_take(&buf);
        if (text)
            *out = text;
        else
            code = pw_no_memory(err);
    }
    pw_buf_done(&buf);
    pw_arena_done(&arena);
    return code;
}
