/* audit_look.c - one look at what must never be.
 *
 * The store gives rows that contradict others, or are late. Where this process is the owner, they are judged by what it has in
 * memory: an instance that its shard is at, or whose job is on the board, moves, whatever its row looks like from outside. Where
 * it only reads, nobody here knows what the owner is at: what is only late is then said once, with how much there is. */
#include "engine/audit.h"
#include "engine/engine.h"

enum { WAL_MAX = 256 << 20, FUNCTIONS_MAX = 1000, TICKETS = 1000 };

void pw_audit_look_begin(pw_audit_look_at *look, pawl *p, pw_audit_findings *out, pw_arena *arena)
{
    const int64_t now = pw_engine_now(p);
    const uint64_t late = pw_auditor_overdue_ms(p->auditor);
    *look = (pw_audit_look_at){ .p = p, .arena = arena, .out = out, .now_ms = now,
                                .before_ms = (uint64_t)now > late ? now - (int64_t)late : 0 };
    *out = (pw_audit_findings){ .items = NULL };
}

/* ------------------------------------------------------------------ the list */

static void add(pw_audit_look_at *look, const pw_audit_finding *finding)
{
    pw_audit_findings *out = look->out;
    for (size_t i = 0; i < out->count; i++)
        if (pw_audit_same(&out->items[i], finding))
            return;
    if (out->count == out->room) {
        size_t room = out->room ? 2 * out->room : 16;
        pw_audit_finding *items = pw_arena_grow(look->arena, out->items, out->room * sizeof *items, room * sizeof *items);
        if (!items)
            return; /* the arena has failed: who looks sees that */
        out->items = items;
        out->room = room;
    }
    out->items[out->count++] = *finding;
}

bool pw_audit_same(const pw_audit_finding *a, const pw_audit_finding *b)
{
    return strcmp(a->kind, b->kind) == 0 && a->number == b->number && pw_str_eq(a->instance, b->instance) &&
           pw_str_eq(a->how, b->how) && pw_str_eq(a->key, b->key);
}

pw_value pw_audit_described(const pw_audit_finding *f, pw_arena *arena)
{
    const pw_member members[] = {
        { PW_LIT("kind"), pw_string_ref(pw_str_of(f->kind)) },
        { PW_LIT("level"), pw_string_ref(pw_str_of(f->warning ? "warning" : "error")) },
        { PW_LIT("instance"), f->instance.len ? pw_string(arena, f->instance) : (pw_value){ 0 } },
        { PW_LIT("task"), f->task.len ? pw_string(arena, f->task) : (pw_value){ 0 } },
        { PW_LIT("what"), pw_string(arena, f->what) },
        { PW_LIT("since"), f->since_ms >= 0 ? pw_string_ref(pw_moment_text(arena, f->since_ms)) : (pw_value){ 0 } },
        { PW_LIT("cause"), pw_string(arena, f->cause) },
        { PW_LIT("remedy"), pw_string(arena, f->remedy) },
    };
    return pw_object_of(arena, members, PW_LENGTH(members));
}

/* ------------------------------------------------------------------ what it says of rows */

#define BY_HAND "rows were changed by hand, or this is a mistake of pawl: please report it with `pawl log`"
#define SET_RIGHT "`pawl rewind` lets it go on from an earlier step; `pawl cancel` ends it"

/* {n}: the number; {key}: the text of the row. */
static const struct {
    pw_audit_kind kind;
    const char *how, *what, *cause, *remedy;
} words[] = {
    { PW_AUDIT_ASLEEP, "nothing", "it waits, and nothing is there that could move it", BY_HAND, SET_RIGHT },
    { PW_AUDIT_ASLEEP, "only-time", "it waits, and nothing is there that could move it", BY_HAND, SET_RIGHT },
    { PW_AUDIT_OVERDUE, "late", "it was to be woken, and was not", "nobody fired its timer",
      "look at the service 'timers' in `pawl health`; starting the owner again reads all timers anew" },
    { PW_AUDIT_OVERDUE, "not-driven", "it has something to do, and nobody is at it", "nobody went on with it after its last step",
      "starting the owner again brings it back; if it does not move then, " SET_RIGHT },
    { PW_AUDIT_CALL, "ended", "a call is pending although it has ended: {key}", BY_HAND,
      "nothing is sent any more; ask the service whether it was reached" },
    { PW_AUDIT_CALL, "not-driven", "a call is pending that nobody is to make: {key}", BY_HAND, SET_RIGHT },
    { PW_AUDIT_GAP, "last", "its log has no step {n}, which was its last", BY_HAND " or the file was damaged",
      "`pawl check` looks at the whole file; restore the store from a backup" },
    { PW_AUDIT_GAP, "before", "its log has no step right before step {n}", BY_HAND " or the file was damaged",
      "`pawl check` looks at the whole file; restore the store from a backup" },
    { PW_AUDIT_GAP, "behind", "its log has step {n}, which it has never made", BY_HAND " or the file was damaged",
      "`pawl check` looks at the whole file; restore the store from a backup" },
    { PW_AUDIT_ORPHAN, "gone", "its parent {key} is not there, and it would tell it how it ends", BY_HAND,
      "it goes on; nobody learns of its end: `pawl cancel` ends it if that is no use" },
    { PW_AUDIT_ORPHAN, "not-waiting", "its parent {key} does not wait for it any more, and has not told it", BY_HAND,
      "it goes on; nobody learns of its end: `pawl cancel` ends it if that is no use" },
    { PW_AUDIT_EVENT, "late", "an event of its step {n} is due at the sink '{key}', and is not published",
      "the dispatcher of the sink does not run, or does not get on, or no such sink is set up",
      "look at the service 'outbox' in `pawl health`, and at the sinks in the configuration" },
    { PW_AUDIT_EVENT, "held", "an event of its step {n} is held back at the sink '{key}', and nothing is there that it waits for", BY_HAND,
      "`pawl deadletter discard` gives it up" },
    { PW_AUDIT_INBOX, "not-taken", "a row of its inbox was not taken: {key}", "it has no owner that gets on, or its start cannot succeed",
      "`pawl why` says where it is; look at the log of the owner" },
    { PW_AUDIT_DELIVERY, "ended", "message {n} is to be taken by it, and it has ended", BY_HAND, "the message reaches nobody: send it again" },
    { PW_AUDIT_DELIVERY, "closed", "message {n} is to be taken where it does not listen any more",
      "it was to be given back, and was not", "the owner gives it back when it is started again; else send it again" },
    { PW_AUDIT_DELIVERY, "not-taken", "message {n} was delivered, and it does not take it", "nobody told it, or it does not get on",
      "starting the owner again tells it; look at the service 'messages' in `pawl health`" },
    { PW_AUDIT_BOOKMARK, "ended", "bookmark '{key}' is open although it has ended", BY_HAND, "nobody can answer it: it is safe to leave it" },
    { PW_AUDIT_BOOKMARK, "child", "it waits for the child {key}, which is not there, or has ended without telling", BY_HAND, SET_RIGHT },
    { PW_AUDIT_INCIDENT, "open", "an incident of it is open although it goes on", BY_HAND, "`pawl retry` or `pawl fail` closes it" },
    { PW_AUDIT_INCIDENT, "none", "it has faulted, and no incident says so", BY_HAND, "look at `pawl log`; " SET_RIGHT },
};

static pw_str put_in(pw_arena *arena, const char *form, uint64_t number, pw_str key)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (const char *at = form; *at;) {
        if (strncmp(at, "{n}", 3) == 0) {
            pw_buf_printf(&buf, "%llu", (unsigned long long)number);
            at += 3;
        } else if (strncmp(at, "{key}", 5) == 0) {
            pw_buf_str(&buf, key);
            at += 5;
        } else {
            pw_buf_char(&buf, *at++);
        }
    }
    pw_str text = buf.failed ? pw_arena_str(arena, pw_str_of(form)) : pw_arena_str(arena, pw_buf_view(&buf));
    pw_buf_done(&buf);
    return text;
}

/* ------------------------------------------------------------------ what the owner's memory says */

/* Its shard has something to do for it, or is in trouble with it. */
static bool is_busy(pawl *p, pw_str id)
{
    pw_watch watch = { .message.kind = PW_MESSAGE_WATCH,
                       .cancel.kind = PW_MESSAGE_UNWATCH,
                       .instance = id,
                       .kind = PW_WATCH_QUIET,
                       .once = true };
    if (pw_reply_init(&watch.reply, NULL) != PAWL_OK)
        return true; /* not known: the next round asks again */
    pw_mailbox_message(&pw_engine_shard_of(p, id)->mailbox, &watch.message);
    (void)pw_reply_wait(&watch.reply, UINT64_MAX); /* closing answers too */
    pw_reply_done(&watch.reply);
    return watch.code == PAWL_TIMEOUT || watch.code == PAWL_BUSY;
}

static bool has_job(pw_audit_look_at *look, pw_str id)
{
    const pw_ticket_filter filter = { .instance = id, .instance_table = pw_store_partition(id), .limit = 1 };
    pw_ticket_row *rows = NULL;
    size_t count = 0;
    bool more = false;
    pw_board *board = pw_jobs_board(look->p->jobs);
    return pw_board_tickets(board, &filter, &rows, &count, &more, look->scratch, NULL) != PAWL_OK || count > 0;
}

/* Where rows do not tell enough. It cannot be read: that is another finding. */
static bool state_says(pw_audit_look_at *look, pw_str id, bool (*is)(const pw_state *state))
{
    pawl *p = look->p;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_instance_row row = { 0 };
    pw_program *program = NULL;
    pw_state *state = NULL;
    const pw_payload_source payloads = pw_store_payloads(p->store, id);
    bool says = pw_store_instance_get(p->store, id, true, &row, &arena, NULL) == PAWL_OK &&
                pw_programs_get(p->programs, p->store, row.namespace_, row.name, row.version, false, &program, NULL, NULL) ==
                    PAWL_OK &&
                pw_state_parse_branches(&state, row.state, row.branches, program, &payloads, &arena, NULL) == PAWL_OK &&
                is(state);
    pw_program_unref(program);
    pw_arena_done(&arena);
    return says;
}

static bool stands_still(const pw_state *state)
{
    return !pw_state_moves(state);
}

/* Only late, not contradictory: whoever has no memory of the owner cannot tell. */
static bool is_only_late(pw_audit_kind kind, pw_str how)
{
    return kind == PW_AUDIT_OVERDUE || kind == PW_AUDIT_INBOX || (kind == PW_AUDIT_EVENT && pw_str_is(how, "late")) ||
           (kind == PW_AUDIT_DELIVERY && !pw_str_is(how, "ended"));
}

static bool holds(pw_audit_look_at *look, pw_audit_kind kind, const pw_audit_row *row)
{
    pawl *p = look->p;
    const bool whole = row->instance.len == PW_ID_LENGTH;
    if (kind == PW_AUDIT_ORPHAN) /* else it was started to go on alone */
        return state_says(look, row->instance, pw_state_tells_parent);
    if ((pw_str_is(row->how, "only-time") || (kind == PW_AUDIT_DELIVERY && pw_str_is(row->how, "not-taken"))) &&
        !state_says(look, row->instance, stands_still))
        return false;
    if (p->mode != PAWL_OWN)
        return !is_only_late(kind, row->how);
    if (!whole || kind == PW_AUDIT_GAP || kind == PW_AUDIT_EVENT || kind == PW_AUDIT_INCIDENT)
        return true;
    if (kind == PW_AUDIT_OVERDUE && has_job(look, row->instance))
        return false;
    pawl_error trouble;
    return pw_engine_trouble(p, row->instance, &trouble) || !is_busy(p, row->instance);
}

/* ------------------------------------------------------------------ rows */

static void describe(pw_audit_look_at *look, pw_audit_finding *f, pw_audit_kind kind, const pw_audit_row *row)
{
    size_t at = 0;
    pawl_error trouble = { .code = PAWL_OK };
    while (words[at].kind != kind || !pw_str_is(row->how, words[at].how))
        PW_ASSERT(++at < PW_LENGTH(words));
    f->what = put_in(look->arena, words[at].what, row->number, row->what);
    f->cause = pw_str_of(words[at].cause);
    f->remedy = pw_str_of(words[at].remedy);
    if (kind == PW_AUDIT_INCIDENT)
        f->task = row->what;
    if (look->p->mode == PAWL_OWN && (kind == PW_AUDIT_OVERDUE || kind == PW_AUDIT_INBOX || kind == PW_AUDIT_DELIVERY) &&
        pw_engine_trouble(look->p, row->instance, &trouble))
        f->cause = pw_arena_str(look->arena, pw_str_of(trouble.message));
    if (kind == PW_AUDIT_OVERDUE && look->p->services_off & PAWL_SERVICE_TIMERS)
        f->cause = PW_LIT("the timer service is switched off in this process");
}

static size_t count_of(const pw_audit_findings *list, const char *kind)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        count += strcmp(list->items[i].kind, kind) == 0;
    return count;
}

/* The page's rows are gone afterwards. */
static void copy(pw_audit_finding *f, pw_arena *arena)
{
    pw_str *const texts[] = { &f->instance, &f->task, &f->how, &f->key, &f->page };
    for (size_t i = 0; i < PW_LENGTH(texts); i++)
        *texts[i] = pw_arena_str(arena, *texts[i]);
}

static void look_at_rows(pw_audit_look_at *look, pw_audit_kind kind, pw_str after, const pw_audit_row *rows, size_t count)
{
    size_t kept = count_of(look->out, pw_audit_kind_name(kind));
    for (size_t i = 0; i < count; i++) {
        if (!holds(look, kind, &rows[i]))
            continue;
        if (kept == PW_AUDIT_KEPT) {
            look->out->more[kind]++;
            continue;
        }
        pw_audit_finding f = { .kind = pw_audit_kind_name(kind), .instance = rows[i].instance, .since_ms = rows[i].since_ms,
                               .how = rows[i].how, .key = rows[i].what, .number = rows[i].number, .of_row = true, .page = after };
        describe(look, &f, kind, &rows[i]);
        copy(&f, look->arena);
        const size_t before = look->out->count;
        add(look, &f);
        kept += look->out->count - before;
    }
}

pawl_code pw_audit_page(pw_audit_look_at *look, pw_audit_kind kind, pw_str after, uint32_t limit, uint32_t *looked, pw_str *next,
                        pawl_error *err)
{
    pawl *p = look->p;
    pw_arena scratch;
    pw_audit_row *rows = NULL;
    size_t count = 0;
    pw_arena_init(&scratch, 0);
    look->scratch = &scratch;
    const uint64_t partitions = p->mode == PAWL_OWN ? pw_leases_held(p->leases) : PW_ALL_PARTITIONS;
    pawl_code code = pw_store_audit(p->store, kind, partitions, look->before_ms, after, limit, &rows, &count, looked, next,
                                    &scratch, err);
    if (code == PAWL_OK) {
        look->out->checked[kind] += *looked;
        look_at_rows(look, kind, after, rows, count);
        *next = pw_arena_str(look->arena, *next);
    }
    if (code == PAWL_OK && (look->arena->failed || scratch.failed))
        code = pw_no_memory(err);
    pw_arena_done(&scratch);
    return code;
}

/* ------------------------------------------------------------------ parts */

/* "1 event waits", "2 events wait". */
static pw_str counted(const pw_audit_look_at *look, uint64_t count, const char *one, const char *many)
{
    return pw_arena_printf(look->arena, "%llu %s", (unsigned long long)count, count == 1 ? one : many);
}

static void look_at_store(pw_audit_look_at *look)
{
    pawl_error why = { .code = PAWL_OK };
    pw_audit_finding f = { .kind = "store", .since_ms = -1, .how = PW_LIT("degraded") };
    if (!pw_engine_degraded(look->p, &why))
        return;
    f.what = PW_LIT("the store takes nothing: what runs waits, and commands are refused");
    f.cause = pw_arena_str(look->arena, pw_str_of(why.message));
    f.remedy = PW_LIT("set the cause right: it goes on by itself then, nothing is lost");
    add(look, &f);
}

static void look_at_service(pw_audit_look_at *look, const pw_service_state *s)
{
    pw_audit_finding f = { .kind = "service", .key = pw_str_of(s->name) };
    pw_arena *arena = look->arena;
    switch (pw_service_judge(s, look->now_ms)) {
    case PW_SERVICE_UP:
    case PW_SERVICE_DISABLED:
        return;
    case PW_SERVICE_FAILING:
        f.how = PW_LIT("failing");
        f.since_ms = s->failed_ms;
        f.what = s->failures_in_row == 1 ? pw_arena_printf(arena, "the service '%s' has failed in its last round", s->name)
                                          : pw_arena_printf(arena, "the service '%s' has failed in its last %llu rounds", s->name,
                                                            (unsigned long long)s->failures_in_row);
        f.cause = pw_arena_str(arena, pw_str_of(s->error));
        f.remedy = PW_LIT("set the cause right: it tries again by itself");
        break;
    case PW_SERVICE_OVERDUE:
        f.how = PW_LIT("overdue");
        f.since_ms = s->begun_ms;
        f.what = pw_arena_printf(arena, "the service '%s' has begun no round since, and should every %llu s", s->name,
                                 (unsigned long long)(s->interval_ms / 1000));
        f.cause = s->working ? PW_LIT("its round has not come to an end") : PW_LIT("its thread does not get on");
        f.remedy = PW_LIT("look at the load of the machine and its disk; starting the owner again begins anew");
        break;
    }
    add(look, &f);
}

/* Of an owner; others do not know. */
static void look_at_services(pw_audit_look_at *look)
{
    for (size_t i = 0; look->p->mode == PAWL_OWN && i < PW_SERVICE_COUNT; i++) {
        pw_service_state state;
        pw_service_look(&look->p->services[i], &state);
        look_at_service(look, &state);
    }
}

/* How much waits at a sink, and how much is dead; and whether there is such a sink here. */
static void look_at_sink(pw_audit_look_at *look, const pw_publish_counts *c, const pw_outbox_sink *sinks, size_t sink_count)
{
    pw_arena *arena = look->arena;
    size_t at = 0;
    while (at < sink_count && !pw_str_eq(sinks[at].name, c->sink))
        at++;
    const pw_outbox_sink *sink = at < sink_count ? &sinks[at] : NULL;
    if (c->dead > 0) {
        const pw_audit_finding f = { .kind = "dead-letters", .warning = true, .since_ms = -1, .key = c->sink,
                                     .what = pw_arena_printf(arena, PW_FMT " at the sink '" PW_FMT "'",
                                                             PW_ARG(counted(look, c->dead, "event is a dead letter", "events are dead letters")),
                                                             PW_ARG(c->sink)),
                                     .cause = PW_LIT("the sink has refused them, or failed too often"),
                                     .remedy = PW_LIT("`pawl deadletter list` says why; requeue them, or discard them") };
        add(look, &f);
    }
    if (c->pending == 0 || look->p->mode != PAWL_OWN || (sink && (!sink->failing || c->oldest_ms >= look->before_ms)))
        return;
    const pw_audit_finding f = {
        .kind = "sink", .warning = sink != NULL, .since_ms = c->oldest_ms, .key = c->sink, .how = sink ? PW_LIT("failing") : PW_LIT("unknown"),
        .what = pw_arena_printf(arena, PW_FMT " for the sink '" PW_FMT "'", PW_ARG(counted(look, c->pending, "event waits", "events wait")),
                                PW_ARG(c->sink)),
        .cause = sink ? pw_arena_str(arena, sink->error) : PW_LIT("no such sink is set up in this process"),
        .remedy = sink ? PW_LIT("set the sink right: it is tried again by itself; `pawl sinks` shows them")
                       : PW_LIT("set it up again under that name; `pawl deadletter discard` gives events up"),
    };
    add(look, &f);
}

static pawl_code look_at_sinks(pw_audit_look_at *look, pawl_error *err)
{
    pw_outbox_sink *sinks = NULL;
    pw_publish_counts *counts = NULL;
    size_t sink_count = 0, count = 0;
    pawl_code code = pw_outbox_look(look->p->outbox, &sinks, &sink_count, look->scratch, err);
    if (code == PAWL_OK)
        code = pw_store_publish_count(look->p->store, &counts, &count, look->scratch, err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++)
        look_at_sink(look, &counts[i], sinks, sink_count);
    return code;
}

/* A long log beside the file: readers that do not end keep it from being folded in. */
static void look_at_space(pw_audit_look_at *look)
{
    pw_store_space space;
    const pw_disk_state state = pw_disk_state_of(look->p);
    if (pw_store_space_look(look->p->store, &space, NULL) != PAWL_OK)
        return;
    if (look->p->mode == PAWL_OWN && state != PW_DISK_OK) {
        const pw_audit_finding f = { .kind = "disk", .warning = state == PW_DISK_LOW, .since_ms = -1,
                                     .how = pw_str_of(pw_disk_state_name(state)),
                                     .what = pw_arena_printf(look->arena, "the disk of the store has %llu MiB left: %s",
                                                             (unsigned long long)(space.disk_free_bytes >> 20),
                                                             state == PW_DISK_LOW ? "nothing is started" : "everything pauses"),
                                     .cause = PW_LIT("less is free than Store:DiskLow or Store:DiskFull asks for"),
                                     .remedy = PW_LIT("free space; `pawl cleanup` deletes what is old. It goes on by itself then") };
        add(look, &f);
    }
    if (space.wal_bytes > WAL_MAX) {
        const pw_audit_finding f = { .kind = "wal", .warning = true, .since_ms = -1,
                                     .what = pw_arena_printf(look->arena, "the write-ahead log has %llu MiB",
                                                             (unsigned long long)(space.wal_bytes >> 20)),
                                     .cause = PW_LIT("a program that reads the file keeps a transaction open, so that it cannot be folded in"),
                                     .remedy = PW_LIT("end the program that reads: a backup, or an SQL shell") };
        add(look, &f);
    }
}

static pawl_code look_at_incidents(pw_audit_look_at *look, pawl_error *err)
{
    const pw_incident_filter filter = { .limit = 1 };
    uint64_t open = 0;
    pawl_code code = pw_store_incident_count(look->p->store, &filter, &open, err);
    if (code != PAWL_OK || open == 0)
        return code;
    const pw_audit_finding f = { .kind = "incidents", .warning = true, .since_ms = -1,
                           .what = counted(look, open, "incident is open", "incidents are open"),
                           .cause = PW_LIT("faults that need a person: `pawl incidents` lists them"),
                           .remedy = PW_LIT("`pawl incident ID` says what to do about one; `pawl bulk` does it to many") };
    add(look, &f);
    return PAWL_OK;
}

static pawl_code look_at_breakers(pw_audit_look_at *look, pawl_error *err)
{
    pw_breaker_view view;
    const pw_http_service *service;
    const pw_breaker_record *row;
    pawl_code code = pw_breaker_view_read(look->p, &view, look->scratch, err);
    for (size_t r = 0, d = 0; code == PAWL_OK && pw_breaker_view_next(&view, &r, &d, &service, &row);) {
        const pw_value about = pw_breaker_described(service, row, look->scratch);
        pw_str state = pw_get_text(about, "state"), name = pw_get_text(about, "service");
        if (!pw_str_is(state, "open"))
            continue;
        pw_str reason = pw_get_text(about, "reason"), until = pw_get_text(about, "openUntil");
        pw_audit_finding f = { .kind = "breaker", .warning = true, .since_ms = row ? row->changed_ms : -1, .key = name,
                         .what = pw_arena_printf(look->arena, "the breaker of " PW_FMT " is open%s" PW_FMT, PW_ARG(name),
                                                 until.len ? " until " : "", PW_ARG(until)),
                         .cause = reason.len ? pw_arena_str(look->arena, reason) : PW_LIT("too many of its calls have failed"),
                         .remedy = PW_LIT("set the service right: a probe closes it; `pawl breaker auto` ends what was forced") };
        add(look, &f);
    }
    return code;
}

static pawl_code oldest_job(pw_audit_look_at *look, pw_str function, pw_ticket_row *out, bool *found, pawl_error *err)
{
    const pw_ticket_filter filter = { .function = function, .limit = TICKETS };
    pw_ticket_row *rows = NULL;
    size_t count = 0;
    bool more = false;
    *found = false;
    pawl_code code = pw_board_tickets(pw_jobs_board(look->p->jobs), &filter, &rows, &count, &more, look->scratch, err);
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].state, "ready") == 0 && (!*found || rows[i].since_ms < out->since_ms)) {
            *out = rows[i];
            *found = true;
        }
    return code;
}

/* Jobs that no worker polls for; and leases that are over, and were not ended. */
static pawl_code look_at_jobs(pw_audit_look_at *look, pawl_error *err)
{
    pw_board *board = pw_jobs_board(look->p->jobs);
    pw_function_row *rows = NULL;
    size_t count = 0;
    pawl_code code = pw_board_functions(board, (pw_str){ "", 0 }, &rows, &count, look->scratch, err);
    for (size_t i = 0; i < count && i < FUNCTIONS_MAX && code == PAWL_OK; i++) {
        pw_ticket_row oldest = { .since_ms = 0 };
        bool found = false;
        if (rows[i].ready == 0 || pw_board_has_worker(board, rows[i].name))
            continue;
        code = oldest_job(look, rows[i].name, &oldest, &found, err);
        if (!found || oldest.since_ms >= look->before_ms)
            continue;
        const pw_audit_finding f = {
            .kind = "job", .warning = true, .since_ms = oldest.since_ms, .how = PW_LIT("no-worker"), .key = rows[i].name,
            .instance = oldest.instance, .task = oldest.task,
            .what = pw_arena_printf(look->arena, PW_FMT " of '" PW_FMT "', this one for longest",
                                    PW_ARG(counted(look, rows[i].ready, "job waits for a worker", "jobs wait for a worker")), PW_ARG(rows[i].name)),
            .cause = pw_arena_printf(look->arena, "no worker polls for '" PW_FMT "'", PW_ARG(rows[i].name)),
            .remedy = PW_LIT("start a worker for it, with a token that it may use; `pawl jobs` lists what waits"),
        };
        add(look, &f);
    }
    return code;
}

static pawl_code look_at_leases(pw_audit_look_at *look, pawl_error *err)
{
    const uint64_t late_ms = pw_auditor_overdue_ms(look->p->auditor);
    pw_ticket_filter filter = { .limit = TICKETS };
    bool more = true;
    pawl_code code = PAWL_OK;
    while (more && code == PAWL_OK) {
        pw_ticket_row *rows = NULL;
        size_t count = 0;
        code = pw_board_tickets(pw_jobs_board(look->p->jobs), &filter, &rows, &count, &more, look->scratch, err);
        for (size_t i = 0; i < count; i++) {
            if (!rows[i].leased || rows[i].over_ms < late_ms)
                continue;
            const pw_audit_finding f = { .kind = "job", .since_ms = look->now_ms - (int64_t)rows[i].over_ms, .how = PW_LIT("lease"), .key = rows[i].function,
                                   .instance = rows[i].instance, .task = rows[i].task, .number = rows[i].visit,
                                   .what = pw_arena_printf(look->arena, "the lease of its job '" PW_FMT "' is over, and did not end",
                                                           PW_ARG(rows[i].function)),
                                   .cause = PW_LIT("the thread that ends leases does not get on"),
                                   .remedy = PW_LIT("look at the load of the machine; starting the owner again begins anew") };
            add(look, &f);
        }
        if (count > 0) {
            filter.table = rows[count - 1].table;
            filter.cursor = rows[count - 1].cursor;
        }
        more = more && count > 0;
    }
    return code;
}

/* Calls that were sent, and should have ended by themselves. */
static pawl_code look_at_calls(pw_audit_look_at *look, pawl_error *err)
{
    pw_http_late *rows = NULL;
    size_t count = 0;
    pawl_code code = pw_http_lates(look->p->http, pw_auditor_overdue_ms(look->p->auditor), PW_AUDIT_KEPT, &rows, &count, look->scratch, err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++) {
        const pw_audit_finding f = { .kind = "call", .since_ms = look->now_ms - (int64_t)rows[i].over_ms, .how = PW_LIT("lease"),
                               .instance = rows[i].instance, .number = rows[i].visit,
                               .what = pw_arena_printf(look->arena, "the time of its call of " PW_FMT " is over, and it did not end",
                                                       PW_ARG(rows[i].service)),
                               .cause = PW_LIT("the thread that makes calls does not get on"),
                               .remedy = PW_LIT("look at the load of the machine; starting the owner again begins anew") };
        add(look, &f);
    }
    return code;
}

static void look_at_troubles(pw_audit_look_at *look)
{
    pawl *p = look->p;
    size_t kept = 0;
    (void)pthread_mutex_lock(&p->lock);
    for (const pw_trouble *t = p->troubles; t && kept < PW_AUDIT_KEPT; t = t->next, kept++) {
        const pw_audit_finding f = { .kind = "trouble", .since_ms = -1, .instance = pw_arena_str(look->arena, (pw_str){ t->id, PW_ID_LENGTH }),
                               .what = PW_LIT("it should move, and cannot"),
                               .cause = pw_arena_str(look->arena, pw_str_of(t->error.message)),
                               .remedy = PW_LIT("set the cause right: it is tried again; `pawl show` has more") };
        add(look, &f);
    }
    (void)pthread_mutex_unlock(&p->lock);
}

/* A reader does not know what an owner is at; but that much is late says that there is none, or that it does not get on. */
static pawl_code look_at_late(pw_audit_look_at *look, pawl_error *err)
{
    pw_due *rows = NULL;
    size_t count = 0;
    pawl_code code = pw_store_due(look->p->store, PW_ALL_PARTITIONS, look->before_ms, 1, (pw_str){ "", 0 }, PW_PAGE_MAX, &rows,
                                  &count, look->scratch, err);
    if (code != PAWL_OK || count == 0)
        return code;
    const pw_audit_finding f = { .kind = "overdue", .since_ms = rows[0].wake_at, .how = PW_LIT("nobody"),
                           .what = pw_arena_printf(look->arena, "%s" PW_FMT, count == PW_PAGE_MAX ? "at least " : "",
                                                   PW_ARG(counted(look, count, "timer is overdue", "timers are overdue"))),
                           .cause = PW_LIT("no process drives this store, or its owner does not get on"),
                           .remedy = PW_LIT("start `pawl serve`; if it runs, ask it: `pawl doctor --server URL`") };
    add(look, &f);
    return PAWL_OK;
}

static pawl_code look_at_parts(pw_audit_look_at *look, pawl_error *err)
{
    const bool owner = look->p->mode == PAWL_OWN;
    look_at_store(look);
    look_at_services(look);
    if (pw_engine_degraded(look->p, NULL)) /* the rest reads it */
        return PAWL_OK;
    look_at_space(look);
    pawl_code code = look_at_incidents(look, err);
    if (code == PAWL_OK)
        code = look_at_sinks(look, err);
    if (code == PAWL_OK)
        code = look_at_breakers(look, err);
    if (code == PAWL_OK && owner)
        code = look_at_jobs(look, err);
    if (code == PAWL_OK && owner)
        code = look_at_leases(look, err);
    if (code == PAWL_OK && owner)
        code = look_at_calls(look, err);
    if (code == PAWL_OK && !owner)
        code = look_at_late(look, err);
    if (owner)
        look_at_troubles(look);
    return code;
}

pawl_code pw_audit_parts(pw_audit_look_at *look, pawl_error *err)
{
    pw_arena scratch;
    pw_arena_init(&scratch, 0);
    look->scratch = &scratch;
    pawl_code code = look_at_parts(look, err);
    for (size_t i = 0; i < look->out->count; i++)
        copy(&look->out->items[i], look->arena);
    if (code == PAWL_OK && (look->arena->failed || scratch.failed))
        code = pw_no_memory(err);
    pw_arena_done(&scratch);
    return code;
}
