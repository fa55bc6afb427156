/* bulk.c - one action on many incidents: what is wanted is checked, counted and kept in the store.
 *
 * The row's request has all of it, as JSON: action, arguments, filter, and the instant before which
 * an incident must have come up. So an incident that comes up later, of the same instance or of
 * another, is not touched. bulk_work.c carries it out. */
#include "engine/bulk.h"
#include "engine/engine.h"
#include "base/digest.h"
#include "base/json.h"

enum { REASON_MAX = 4096, NAME_MAX = 512, POINTER_MAX = 65536 };

static const struct {
    const char *name;
    pawl_change action;
    bool input, output, task, confirmed; /* what it may have; its task it must */
} actions[] = {
    { "retry", PAWL_RETRY, .input = true, .confirmed = true },
    { "skip", PAWL_SKIP, .output = true, .confirmed = true },
    { "goto", PAWL_GOTO, .input = true, .task = true, .confirmed = true },
    { "fail", PAWL_FAIL },
    { "cancel", PAWL_CANCEL },
    { "compensate", PAWL_COMPENSATE },
};

/* ------------------------------------------------------------------ the request as it is kept */

static const char *text_or_null(pw_value object, const char *name, pw_arena *arena)
{
    pw_value v = pw_get(object, pw_str_of(name));
    return pw_is(v, PW_STRING) ? pw_arena_str(arena, pw_text(v)).ptr : NULL;
}

static const char *json_or_null(pw_value object, const char *name, pw_arena *arena)
{
    pw_value v = pw_get(object, pw_str_of(name));
    return pw_is(v, PW_NONE) ? NULL : pw_json_text(arena, v, PW_JSON_COMPACT).ptr;
}

static pawl_code check_kinds(const pw_incident_filter *filter, pawl_error *err)
{
    pw_fault_kind kind;
    pw_error_class class_;
    if (filter->kind.len && !pw_fault_kind_parse(&kind, filter->kind))
        return pw_fail(err, PAWL_INVALID,
                       "bulk: type is startup-fault, activity-fault, external-call-fault or "
                       "resume-fault, not '%.40s'",
                       filter->kind.ptr);
    if (filter->class_.len && !pw_error_class_parse(&class_, filter->class_))
        return pw_fail(err, PAWL_INVALID,
                       "bulk: there is no class '%.40s'; timeout, connection, server-error ...",
                       filter->class_.ptr);
    return PAWL_OK;
}

static pawl_code read_labels(pw_incident_filter *filter, pw_value labels, pw_arena *arena,
                             pawl_error *err)
{
    if (!pw_is(labels, PW_OBJECT) || labels.count == 0)
        return PAWL_OK;
    pw_label *wanted = PW_NEW_ARRAY(arena, pw_label, labels.count);
    if (!wanted)
        return pw_no_memory(err);
    for (uint32_t i = 0; i < labels.count; i++)
        wanted[i] = (pw_label){ pw_members(labels)[i].key, pw_text(pw_members(labels)[i].value) };
    filter->labels = wanted;
    filter->label_count = labels.count;
    return PAWL_OK;
}

static pawl_code read_filter(pw_bulk_plan *out, pw_value request, pw_arena *arena, pawl_error *err)
{
    pw_value wanted = pw_get_lit(request, "filter");
    pw_incident_filter *filter = &out->filter;
    int64_t before = 0;
    if (!pw_integer(pw_get_lit(request, "before"), &before) || before <= 0)
        return pw_fail(err, PAWL_INVALID, "bulk: its request says not of when it is");
    pw_name_split(&filter->namespace_, &filter->name, text_or_null(wanted, "name", arena));
    filter->version = pw_get_text(wanted, "version");
    filter->kind = pw_str_of(text_or_null(wanted, "type", arena));
    filter->class_ = pw_str_of(text_or_null(wanted, "class", arena));
    filter->task = pw_get_text(wanted, "atTask");
    filter->until_ms = before;
    pawl_code code = check_kinds(filter, err);
    if (code == PAWL_OK)
        code = pw_names_read(&filter->namespaces, &filter->namespace_count, &out->none,
                             json_or_null(wanted, "namespaces", arena), "bulk: namespaces", arena,
                             err);
    return code == PAWL_OK ? read_labels(filter, pw_get_lit(wanted, "labels"), arena, err) : code;
}

static pawl_code read_action(pw_bulk_plan *out, pw_value request, pw_arena *arena, pawl_error *err)
{
    size_t at = 0;
    pw_str name = pw_get_text(request, "action");
    while (at < PW_LENGTH(actions) && !pw_str_is(name, actions[at].name))
        at++;
    if (at == PW_LENGTH(actions))
        return pw_fail(err, PAWL_INVALID,
                       "bulk: action is retry, skip, goto, fail, cancel or compensate");
    out->action = actions[at].action;
    out->reason = text_or_null(request, "reason", arena);
    out->input = json_or_null(request, "input", arena);
    out->output = json_or_null(request, "output", arena);
    out->task = text_or_null(request, "task", arena);
    out->confirmed = pw_truthy(pw_get_lit(request, "confirmed"));
    const struct {
        const char *name;
        bool given, taken;
    } arguments[] = { { "input", out->input != NULL, actions[at].input },
                      { "output", out->output != NULL, actions[at].output },
                      { "task", out->task != NULL, actions[at].task },
                      { "confirmation", out->confirmed, actions[at].confirmed } };
    for (size_t i = 0; i < PW_LENGTH(arguments); i++)
        if (arguments[i].given && !arguments[i].taken)
            return pw_fail(err, PAWL_INVALID, "bulk: %s takes no %s", actions[at].name,
                           arguments[i].name);
    if (actions[at].task && (!out->task || !out->task[0]))
        return pw_fail(err, PAWL_INVALID, "bulk: goto needs a task, as its JSON pointer");
    return PAWL_OK;
}

pawl_code pw_bulk_plan_read(pw_bulk_plan *out, pw_str request, pw_arena *arena, pawl_error *err)
{
    pw_value v;
    *out = (pw_bulk_plan){ .none = false };
    pawl_code code = pw_json_parse(&v, request, NULL, arena, err);
    if (code == PAWL_OK)
        code = read_action(out, v, arena, err);
    if (code == PAWL_OK)
        code = read_filter(out, v, arena, err);
    return code == PAWL_OK && arena->failed ? pw_no_memory(err) : code;
}

/* ------------------------------------------------------------------ start */

typedef struct bulk_start {
    pawl *p;
    pawl_bulk_options options;
    pw_command command; /* who asks, and under which key */
    pw_value labels;
    int64_t now_ms;
    char id[PW_ID_SIZE];
    pw_arena *arena;
} bulk_start;

static pawl_code check_texts(bulk_start *s, pawl_error *err)
{
    const pawl_bulk_options *o = &s->options;
    const struct {
        const char *text, *what;
        size_t most;
    } texts[] = {
        { o->reason, "bulk: reason", REASON_MAX },    { o->task, "bulk: task", POINTER_MAX },
        { o->name, "bulk: name", NAME_MAX },          { o->version, "bulk: version", NAME_MAX },
        { o->type, "bulk: type", NAME_MAX },          { o->error_class, "bulk: class", NAME_MAX },
        { o->at_task, "bulk: at task", POINTER_MAX },
    };
    pw_str checked;
    pawl_code code = PAWL_OK;
    for (size_t i = 0; i < PW_LENGTH(texts) && code == PAWL_OK; i++)
        code = pw_text_check(&checked, texts[i].text, texts[i].what, texts[i].most, false, err);
    if (code == PAWL_OK && o->older_ms > (uint64_t)s->now_ms)
        code = pw_fail(err, PAWL_INVALID, "bulk: older_ms is %llu: nothing is so old",
                       (unsigned long long)o->older_ms);
    return code == PAWL_OK ? pw_labels_read(&s->labels, o->labels, "bulk: labels", s->arena, err)
                           : code;
}

static void add_text(pw_object_builder *object, const char *name, const char *text)
{
    if (text)
        pw_object_add(object, pw_str_of(name), pw_string_ref(pw_str_of(text)));
}

static pawl_code add_json(pw_object_builder *object, const char *name, const char *text,
                          pawl_error *err)
{
    pw_value v;
    if (!text)
        return PAWL_OK;
    pawl_code code = pw_json_parse(&v, pw_str_of(text), NULL, object->arena, err);
    if (code != PAWL_OK)
        return pw_error_context(err, code, "bulk: %s", name);
    pw_object_add(object, pw_str_of(name), v);
    return PAWL_OK;
}

static const char *name_of(pawl_change action)
{
    for (size_t i = 0; i < PW_LENGTH(actions); i++)
        if (actions[i].action == action)
            return actions[i].name;
    return NULL;
}

/* What the row keeps. An incident of this very millisecond is one of those that are there. */
static pawl_code write_request(bulk_start *s, pw_str *out, pawl_error *err)
{
    const pawl_bulk_options *o = &s->options;
    pw_object_builder request = { .arena = s->arena }, filter = { .arena = s->arena };
    add_text(&request, "action", name_of(o->action));
    add_text(&request, "reason", o->reason);
    add_text(&request, "task", o->task);
    pawl_code code = add_json(&request, "input", o->input, err);
    if (code == PAWL_OK)
        code = add_json(&request, "output", o->output, err);
    if (o->confirmed)
        pw_object_add(&request, PW_LIT("confirmed"), pw_bool(true));
    add_text(&filter, "name", o->name);
    add_text(&filter, "version", o->version);
    add_text(&filter, "type", o->type);
    add_text(&filter, "class", o->error_class);
    add_text(&filter, "atTask", o->at_task);
    if (code == PAWL_OK)
        code = add_json(&filter, "namespaces", o->namespaces, err);
    if (pw_is(s->labels, PW_OBJECT))
        pw_object_add(&filter, PW_LIT("labels"), s->labels);
    if (o->older_ms)
        pw_object_add(&filter, PW_LIT("olderMs"), pw_int((int64_t)o->older_ms));
    pw_object_add(&request, PW_LIT("filter"), pw_object_end(&filter));
    pw_object_add(&request, PW_LIT("before"), pw_int(s->now_ms - (int64_t)o->older_ms + 1));
    if (code != PAWL_OK)
        return code;
    *out = pw_json_text(s->arena, pw_object_end(&request), PW_JSON_COMPACT);
    if (!out->ptr)
        return pw_no_memory(err);
    return out->len <= PW_BULK_REQUEST_MAX
               ? PAWL_OK
               : pw_fail_reason(err, PAWL_INVALID, PAWL_REASON_TOO_LARGE,
                                "bulk: the request has %zu bytes; at most %u", out->len,
                                PW_BULK_REQUEST_MAX);
}

/* The same request again finds its operation. */
static pawl_code make_id(bulk_start *s, pawl_error *err)
{
    uint8_t random[10];
    if (s->command.once.len) {
        const pw_str parts[] = { PW_LIT("bulk"), s->command.event.actor, s->command.once };
        pw_digest digest = pw_digest_of(parts, PW_LENGTH(parts));
        pw_id_of_digest(s->id, &digest);
        return PAWL_OK;
    }
    pawl_code code = pw_random(random, sizeof random, err);
    if (code == PAWL_OK)
        pw_id_of_time(s->id, (uint64_t)s->now_ms, random);
    return code;
}

static pawl_code give_count(uint64_t count, char **out, pw_arena *arena, pawl_error *err)
{
    const pw_member members[] = { { PW_LIT("counted"), pw_int((int64_t)count) } };
    return out ? pw_give_json(out, pw_object_of(arena, members, PW_LENGTH(members)), arena, err)
               : PAWL_OK;
}

static pawl_code read_bulk_start(bulk_start *s, const pawl_bulk_options *given,
                                 const pawl_request *request, pawl_error *err)
{
    pawl_code code =
        pw_options_take(&s->options, sizeof s->options, given, true, "pawl_bulk_options", err);
    if (code == PAWL_OK)
        code = pw_request_read(&s->command, request, NULL, s->arena, err);
    s->now_ms = pw_engine_now(s->p);
    if (code == PAWL_OK)
        code = check_texts(s, err);
    return code == PAWL_OK ? make_id(s, err) : code;
}

static pawl_code begin(bulk_start *s, char **out, pawl_error *err)
{
    pw_str request = { 0 };
    pw_bulk_plan plan;
    uint64_t count = 0;
    bool won = false;
    pawl_code code = write_request(s, &request, err);
    if (code == PAWL_OK)
        code = pw_bulk_plan_read(&plan, request, s->arena, err);
    if (code == PAWL_OK && !plan.none)
        code = pw_store_incident_count(s->p->store, &plan.filter, &count, err);
    if (code != PAWL_OK)
        return code;
    if (s->options.dry_run)
        return give_count(count, out, s->arena, err);
    const pw_bulk row = { .id = { s->id, PW_ID_LENGTH },
                          .request = request,
                          .actor = s->command.event.actor,
                          .created_ms = s->now_ms,
                          .counted = count,
                          .lease_ms = -1,
                          .changed_ms = s->now_ms,
                          .ended_ms = -1 };
    code = pw_store_bulk_set(s->p->store, &row, NULL, 0, &won, err);
    if (code == PAWL_OK) /* not won: it was started under this key before, and is shown as it is */
        pw_bulks_wake(s->p->bulks);
    return code;
}

pawl_code pawl_bulk_start(pawl *p, const pawl_bulk_options *options, const pawl_request *request,
                          char **out, pawl_error *err)
{
    pawl_code code = pw_engine_may_write(p, err);
    if (code == PAWL_OK)
        code = pw_disk_allows(p, false, err);
    if (code != PAWL_OK)
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    bulk_start s = { .p = p, .arena = &arena };
    code = read_bulk_start(&s, options, request, err);
    if (code == PAWL_OK)
        code = begin(&s, out, err);
    if (code == PAWL_OK && !s.options.dry_run && out)
        code = pawl_bulk(p, s.id, out, err);
    pw_arena_done(&arena);
    return code;
}

/* ------------------------------------------------------------------ as JSON */

/* One that is stopped behind the page that it is at is running until then. */
static pw_bulk_state state_of(const pw_bulk *b)
{
    return b->page.len ? PW_BULK_RUNNING : b->state;
}

/* `whole`: also what can be long. */
static pawl_code describe(pawl *p, pw_object_builder *object, const pw_bulk *b, bool whole,
                          pawl_error *err)
{
    static const char *const arguments[] = { "task", "confirmed", "input", "output" };
    pw_value request;
    pawl_error trouble;
    pawl_code code = pw_stored_json(&request, b->request, object->arena, "request of a bulk operation", err);
    if (code != PAWL_OK)
        return code;
    pw_show_text(object, "id", b->id);
    pw_show_text(object, "state", pw_str_of(pw_bulk_state_name(state_of(b))));
    pw_show_text(object, "action", pw_get_text(request, "action"));
    for (size_t i = 0; i < (whole ? PW_LENGTH(arguments) : 2); i++)
        pw_object_add(object, pw_str_of(arguments[i]), pw_get(request, pw_str_of(arguments[i])));
    pw_object_add(object, PW_LIT("filter"), pw_get_lit(request, "filter"));
    pw_show_text(object, "reason", pw_get_text(request, "reason"));
    pw_show_text(object, "actor", b->actor);
    pw_show_moment(object, "createdAt", b->created_ms);
    pw_show_count(object, "counted", b->counted);
    pw_show_count(object, "done", b->done);
    pw_show_count(object, "skipped", b->skipped);
    pw_show_count(object, "failed", b->failed);
    pw_show_moment(object, "changedAt", b->changed_ms);
    pw_show_moment(object, "endedAt", b->ended_ms);
    pw_show_text(object, "stoppedBy", b->stopped_by);
    if (pw_engine_trouble(p, b->id, &trouble))
        pw_object_add(object, PW_LIT("trouble"),
                      pw_string(object->arena, pw_str_of(trouble.message)));
    return PAWL_OK;
}

static pw_value failures_of(const pw_bulk_failure *failures, size_t count, pw_arena *arena)
{
    pw_array_builder list = { .arena = arena };
    for (size_t i = 0; i < count; i++) {
        const pw_member members[] = { { PW_LIT("instance"), pw_string_ref(failures[i].instance) },
                                      { PW_LIT("code"), pw_string_ref(failures[i].code) },
                                      { PW_LIT("message"), pw_string_ref(failures[i].message) } };
        pw_array_add(&list, pw_object_of(arena, members, PW_LENGTH(members)));
    }
    return pw_array_end(&list);
}

static pawl_code give(pawl *p, pw_str id, char **out, pw_arena *arena, pawl_error *err)
{
    pw_bulk row;
    pw_bulk_failure *failures = NULL;
    size_t count = 0;
    pw_object_builder object = { .arena = arena };
    pawl_code code = pw_store_bulk_get(p->store, id, &row, &failures, &count, arena, err);
    if (code == PAWL_OK)
        code = describe(p, &object, &row, true, err);
    if (code != PAWL_OK)
        return code;
    pw_object_add(&object, PW_LIT("failures"), failures_of(failures, count, arena));
    return pw_give_json(out, pw_object_end(&object), arena, err);
}

pawl_code pawl_bulk(pawl *p, const char *id, char **out, pawl_error *err)
{
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "bulk: the pawl or out is NULL");
    if (!id || !id[0])
        return pw_fail(err, PAWL_INVALID, "the id of the bulk operation is missing");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_code code = give(p, pw_str_of(id), out, &arena, err);
    pw_arena_done(&arena);
    return code;
}

static pawl_code list(pawl *p, pw_str after, uint32_t limit, char **out, pw_arena *arena,
                      pawl_error *err)
{
    pw_bulk *rows = NULL;
    size_t count = 0;
    pw_array_builder page = { .arena = arena };
    pw_object_builder object = { .arena = arena };
    pawl_code code = pw_store_bulks(p->store, false, after, limit, &rows, &count, arena, err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++) {
        pw_object_builder one = { .arena = arena };
        code = describe(p, &one, &rows[i], false, err);
        pw_array_add(&page, pw_object_end(&one));
    }
    if (code != PAWL_OK)
        return code;
    pw_object_add(&object, PW_LIT("bulks"), pw_array_end(&page));
    if (count == limit)
        pw_show_text(&object, "next", rows[count - 1].id);
    return pw_give_json(out, pw_object_end(&object), arena, err);
}

pawl_code pawl_bulks(pawl *p, const char *after, uint32_t limit, char **out, pawl_error *err)
{
    uint32_t most;
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "bulks: the pawl or out is NULL");
    pawl_code code = pw_page_check(&most, limit, "bulks", err);
    if (code != PAWL_OK)
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    code = list(p, pw_str_of(after), most, out, &arena, err);
    pw_arena_done(&arena);
    return code;
}

/* ------------------------------------------------------------------ stop, and let go on */

enum { STOP_TRIES = 16 }; /* each is lost to a page that has ended meanwhile */

static pawl_code set_state(pawl *p, pw_str id, bool go_on, pw_str actor, pw_arena *arena,
                           pawl_error *err)
{
    const pw_bulk_state wanted = go_on ? PW_BULK_RUNNING : PW_BULK_STOPPED;
    bool won = false;
    for (int i = 0; i < STOP_TRIES; i++) {
        pw_bulk row;
        pawl_code code = pw_store_bulk_get(p->store, id, &row, NULL, NULL, arena, err);
        if (code != PAWL_OK)
            return code;
        if (row.state == PW_BULK_DONE)
            return pw_fail(err, PAWL_STATE, "bulk operation '" PW_FMT "' is done", PW_ARG(id));
        if (row.state == wanted)
            return PAWL_OK;
        row.state = wanted;
        row.stopped_by = go_on ? (pw_str){ "", 0 } : actor.len ? actor : PW_LIT("system");
        row.changed_ms = pw_engine_now(p);
        code = pw_store_bulk_set(p->store, &row, NULL, 0, &won, err);
        if (code != PAWL_OK || won)
            return code;
    }
    return pw_fail(err, PAWL_BUSY, "bulk operation '" PW_FMT "' changes all the time; try again",
                   PW_ARG(id));
}

pawl_code pawl_bulk_stop(pawl *p, const char *id, int go_on, const pawl_request *request,
                         char **out, pawl_error *err)
{
    pw_command command = { .code = PAWL_OK };
    pawl_code code = pw_engine_may_write(p, err);
    if (code != PAWL_OK)
        return code;
    if (!id || !id[0])
        return pw_fail(err, PAWL_INVALID, "the id of the bulk operation is missing");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    code = pw_request_read(&command, request, NULL, &arena, err);
    if (code == PAWL_OK)
        code = set_state(p, pw_str_of(id), go_on != 0, command.event.actor, &arena, err);
    pw_arena_done(&arena);
    if (code == PAWL_OK && go_on)
        pw_bulks_wake(p->bulks);
    return code == PAWL_OK && out ? pawl_bulk(p, id, out, err) : code;
}
