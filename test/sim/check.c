/* check.c - what users were told, against the store, at once; and everything, at the end. */
#include "sim.h"
#include "engine/engine.h"
#include "base/json.h"

/* The truth is read without faults: a failure is one of the simulation. */
#define MUST(code)                                                                                 \
    do {                                                                                           \
        pawl_code must_code = (code);                                                              \
        PW_ASSERT(must_code == PAWL_OK);                                                           \
    } while (0)

bool sim_row(pw_str id, pw_instance_row *out, pw_arena *arena)
{
    *out = (pw_instance_row){ 0 };
    return pw_store_instance_get(sim_store, id, true, out, arena, NULL) == PAWL_OK;
}

static void digest_of(char out[65], const char *json)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value v;
    MUST(pw_json_parse(&v, pw_str_of(json), NULL, &arena, NULL));
    MUST(pw_digest_of_value(out, v, NULL));
    pw_arena_done(&arena);
}

/* ------------------------------------------------------------------ bookmarks */

uint64_t sim_open_bookmark(pw_str id, pw_str key)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_bookmark_row row = { 0 };
    pawl_code code = pw_store_bookmark_by_key(sim_store, id, key, &row, &arena, NULL);
    uint64_t visit = code == PAWL_OK && row.open ? row.bookmark.visit : 0;
    pw_arena_done(&arena);
    return visit;
}

size_t sim_open_keys(pw_str id, char **out, size_t most)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_bookmark_row *rows = NULL;
    size_t count = 0, found = 0;
    MUST(pw_store_bookmarks(sim_store, id, true, &rows, &count, &arena, NULL));
    for (size_t i = 0; i < count && found < most; i++)
        if (rows[i].bookmark.kind == PW_BOOKMARK_USER)
            out[found++] = sim_copy(rows[i].bookmark.key);
    pw_arena_done(&arena);
    return found;
}

uint64_t sim_waits_for_child(pw_str id)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_bookmark_row *rows = NULL;
    size_t count = 0;
    uint64_t ended_ns = 0;
    MUST(pw_store_bookmarks(sim_store, id, true, &rows, &count, &arena, NULL));
    for (size_t i = 0; i < count; i++) {
        if (rows[i].bookmark.kind != PW_BOOKMARK_CHILD)
            continue;
        sim_entry child = sim_ledger_of(sim_alias(rows[i].bookmark.key));
        uint64_t moved_ns = pw_status_ended(child.status) ? child.moved_ns : sim_now_ns;
        if (child.known && moved_ns > ended_ns)
            ended_ns = moved_ns;
    }
    pw_arena_done(&arena);
    return ended_ns;
}

/* ------------------------------------------------------------------ answers */

void sim_check_started(pw_str id, const char *key, const char *input)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_instance_row row;
    char digest[65];
    uint32_t alias = sim_alias(id);
    digest_of(digest, input);
    if (!sim_row(id, &row, &arena))
        sim_violation("i%u: its start was told OK, and it is not in the store", alias);
    if (!pw_str_is(row.business_key, key ? key : "") || !pw_str_is(row.input_digest, digest))
        sim_violation("i%u: its start was told OK, and it has another key or input", alias);
    pw_arena_done(&arena);
}

void sim_check_start_conflict(pw_str id, const char *input)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_instance_row row;
    char digest[65];
    digest_of(digest, input);
    if (!sim_row(id, &row, &arena))
        sim_violation("a start was told that its key is taken, and it is not");
    if (pw_str_is(row.input_digest, digest))
        sim_violation("i%u: a repeated start with the same input was told CONFLICT", sim_alias(id));
    pw_arena_done(&arena);
}

void sim_check_resumed(pw_str id, const char *key, const char *data)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_bookmark_row *rows = NULL;
    size_t count = 0;
    bool found = false;
    char digest[65];
    digest_of(digest, data);
    MUST(pw_store_bookmarks(sim_store, id, false, &rows, &count, &arena, NULL));
    for (size_t i = 0; i < count; i++)
        found = found || (pw_str_is(rows[i].bookmark.key, key) && rows[i].consumed &&
                          pw_str_is(rows[i].digest, digest));
    if (!found)
        sim_violation("i%u: an answer for '%s' was told OK, and did not consume it", sim_alias(id),
                      key);
    pw_arena_done(&arena);
}

/* ------------------------------------------------------------------ the end */

static void check_steps(pw_str id, uint32_t alias, uint64_t token, pw_arena *arena)
{
    pw_step_row *rows = NULL;
    size_t count = 0;
    int64_t last_ms = 0;
    uint64_t from = 1;
    for (; from <= token; from += count) {
        MUST(pw_store_steps(sim_store, id, from, 500, &rows, &count, arena, NULL));
        if (count == 0)
            break;
        for (size_t i = 0; i < count; i++) {
            if (rows[i].sequence != from + i)
                sim_violation("i%u: the log has a gap before step %llu", alias,
                              (unsigned long long)rows[i].sequence);
            if (pw_hash64(1, rows[i].entries.ptr, rows[i].entries.len) !=
                sim_ledger_step(alias, from + i))
                sim_violation("i%u: step %llu is not the one committed", alias,
                              (unsigned long long)(from + i));
            if (rows[i].at_ms < last_ms)
                sim_violation("i%u: time goes back at step %llu", alias,
                              (unsigned long long)(from + i));
            last_ms = rows[i].at_ms;
        }
    }
    if (from != token + 1)
        sim_violation("i%u: its log ends at step %llu, its token is %llu", alias,
                      (unsigned long long)from - 1, (unsigned long long)token);
}

static void check_bookmarks(pw_str id, uint32_t alias, pw_arena *arena)
{
    pw_bookmark_row *rows = NULL;
    size_t count = 0;
    MUST(pw_store_bookmarks(sim_store, id, true, &rows, &count, arena, NULL));
    if (count)
        sim_violation("i%u has ended, and its bookmark '" PW_FMT "' is open", alias,
                      PW_ARG(rows[0].bookmark.key));
}

static void check_calls(pw_str id, uint32_t alias, pw_arena *arena)
{
    pw_call_row *rows = NULL;
    size_t count = 0;
    MUST(pw_store_calls(sim_store, id, false, &rows, &count, arena, NULL));
    for (size_t i = 0; i < count; i++)
        if (rows[i].state == PW_CALL_PENDING || rows[i].ended_ms < 0)
            sim_violation("i%u has ended, and its call of visit %llu is %s", alias,
                          (unsigned long long)rows[i].intent.visit,
                          pw_call_state_name(rows[i].state));
}

/* What was rewound may end more often than once, as may what is compensated after its end, which may stop again. */
static void check_outbox(pw_str id, uint32_t alias, pw_status status, const sim_entry *entry, pw_arena *arena)
{
    pw_outbox_row *rows = NULL;
    size_t count = 0;
    MUST(
        pw_store_outbox(sim_store, id, (pw_str){ "", 0 }, PW_PAGE_MAX, &rows, &count, arena, NULL));
    uint64_t step = 0, ordinal = 0;
    uint32_t started = 0, ends = 0;
    for (size_t i = 0; i < count && count < PW_PAGE_MAX; i++) {
        ordinal = rows[i].sequence == step ? ordinal + 1 : 1;
        step = rows[i].sequence;
        pw_str wanted = pw_arena_printf(arena, PW_FMT "-%llu-%llu", PW_ARG(id),
                                        (unsigned long long)step, (unsigned long long)ordinal);
        if (!pw_str_eq(rows[i].event.id, wanted))
            sim_violation("i%u: the event " PW_FMT " should be " PW_FMT, alias,
                          PW_ARG(rows[i].event.id), PW_ARG(wanted));
        started += pw_str_is(rows[i].event.type, "io.serverlessworkflow.workflow.started.v1");
        pw_str end = pw_arena_printf(arena, status == PW_COMPENSATED ? "io.pawl.instance.%s.v1"
                                                                     : "io.serverlessworkflow.workflow.%s.v1",
                                     pw_status_name(status));
        ends += pw_str_eq(rows[i].event.type, end);
    }
    sim_check_published(alias, rows, count, arena);
    uint32_t least = status == PW_FAULTED ? entry->incidents : 1;
    uint32_t most = least + entry->rewound + entry->compensated;
    if (count < PW_PAGE_MAX && (started != 1 || ends < least || ends > most))
        sim_violation("i%u: %u events say that it started, %u that it %s", alias, started, ends,
                      pw_status_name(status));
}

static void check_instance(uint32_t alias)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_str id = sim_alias_id(alias);
    sim_entry entry = sim_ledger_of(alias);
    pw_instance_row row;
    bool there = sim_row(id, &row, &arena);
    if (there != entry.known)
        sim_violation("i%u: %s", alias, there ? "nobody committed it" : "it was lost");
    if (!there) {
        if (entry.asked && !entry.returned)
            sim_violation("i%u: its parent has asked for it, and it never began", alias);
        pw_arena_done(&arena);
        return;
    }
    if (row.status != entry.status || row.token != entry.sequence)
        sim_violation("i%u: the store says %s at %llu, committed was %s at %llu", alias,
                      pw_status_name(row.status), (unsigned long long)row.token,
                      pw_status_name(entry.status), (unsigned long long)entry.sequence);
    if (!sim_has_ended(&entry))
        sim_violation("i%u has not ended: it is %s", alias, pw_status_name(row.status));
    pw_fault_row *faults = NULL;
    size_t count = 0;
    MUST(pw_store_faults(sim_store, id, &faults, &count, &arena, NULL));
    if (count != entry.incidents || (row.status == PW_FAULTED && count == 0))
        sim_violation("i%u is %s and has %zu faults, of %u", alias, pw_status_name(row.status), count, entry.incidents);
    for (size_t i = 0; i < count; i++)
        if (faults[i].open)
            sim_violation("i%u has ended, and its incident of step %llu is open", alias,
                          (unsigned long long)faults[i].sequence);
    check_steps(id, alias, row.token, &arena);
    sim_undo_check(alias, &arena);
    sim_check_replay(id, alias, &row);
    check_bookmarks(id, alias, &arena);
    check_calls(id, alias, &arena);
    check_outbox(id, alias, row.status, &entry, &arena);
    sim_note("ended: i%u %s at step %llu", alias, pw_status_name(row.status),
             (unsigned long long)row.token);
    sim_out->instances++;
    sim_out->ended++;
    pw_arena_done(&arena);
}

uint32_t sim_inbox_pending(void)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_inbox_row *rows = NULL;
    size_t count = 0;
    MUST(pw_store_inbox_pending(sim_store, PW_ALL_PARTITIONS, 1, &rows, &count, &arena, NULL));
    uint32_t alias = count ? sim_alias(rows[0].target) : 0;
    pw_arena_done(&arena);
    return alias;
}

bool sim_breaker_is_forced(uint32_t which)
{
    static const char *const services[] = { "http://service0.test:80", "http://service1.test:80",
                                            "http://service2.test:80", "shared0", "shared1" };
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_breaker_record *rows = NULL;
    size_t count = 0;
    bool forced = false;
    MUST(pw_store_breakers(sim_store, &rows, &count, &arena, NULL));
    for (size_t i = 0; i < count; i++)
        forced = forced || (pw_str_is(rows[i].service, services[which]) && rows[i].forced != PW_BREAKER_AUTO);
    pw_arena_done(&arena);
    return forced;
}

void sim_check_incidents(void)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    const pw_incident_filter filter = { .limit = PW_PAGE_MAX };
    pw_incident_row *rows = NULL;
    size_t count = 0, open = 0;
    pw_str next;
    MUST(pw_store_incidents(sim_store, &filter, &rows, &count, &next, &arena, NULL));
    for (size_t i = 0; i < count; i++)
        if (!sim_ledger_of(sim_alias(rows[i].instance)).incident)
            sim_violation("i%u: its incident of step %llu is listed as open", sim_alias(rows[i].instance),
                          (unsigned long long)rows[i].row.sequence);
    for (uint32_t alias = 1; alias <= sim_ledger_count(); alias++)
        open += sim_ledger_of(alias).incident;
    if (count != open)
        sim_violation("%zu incidents are listed, and %zu are open", count, open);
    pw_arena_done(&arena);
}

/* The auditor's rows: with all at its end, and nobody at work, none may contradict another. */
static void check_audit(pw_audit_kind kind)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_audit_row *rows = NULL;
    size_t count = 0;
    uint32_t looked = 0;
    pw_str next = { "", 0 };
    do {
        MUST(pw_store_audit(sim_store, kind, PW_ALL_PARTITIONS, sim_now_ms(), next, 1000, &rows, &count, &looked, &next, &arena,
                            NULL));
        if (count)
            sim_violation("i%u: the auditor finds '%s', " PW_FMT ": " PW_FMT " %llu", sim_alias(rows[0].instance),
                          pw_audit_kind_name(kind), PW_ARG(rows[0].how), PW_ARG(rows[0].what), (unsigned long long)rows[0].number);
    } while (next.len > 0);
    pw_arena_done(&arena);
}

void sim_check_end(void)
{
    sim_check_incidents();
    for (uint32_t alias = 1; alias <= sim_ledger_count(); alias++)
        check_instance(alias);
    sim_check_messages();
    if (sim_inbox_pending())
        sim_violation("i%u: a row of its inbox was never consumed", sim_inbox_pending());
    for (unsigned kind = 0; kind < PW_AUDIT_KINDS; kind++)
        check_audit((pw_audit_kind)kind);
}
