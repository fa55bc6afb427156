/* audit_test.c - the auditor: each finding is planted, by SQL where no engine would ever make it, seen by two rounds, told with its
 * cause and what to do, and gone when it is set right. */
#include <sqlite3.h>
#include <time.h>
#include <unistd.h>

#include "trouble.h"
#include "engine/disk.h"

#define NOW 1800000000000u
#define LATER (NOW + 120000u)

/* Somebody else's hand; @ID stands for the id. */
static void raw(fixture *f, const char *form, const char *id)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (const char *at = form; *at; at += strncmp(at, "@ID", 3) == 0 ? 3 : 1) {
        if (strncmp(at, "@ID", 3) == 0)
            pw_buf_text(&buf, id);
        else
            pw_buf_char(&buf, *at);
    }
    char *sql = pw_buf_take(&buf);
    EXPECT_INT(sqlite3_open(f->store, &db), SQLITE_OK);
    EXPECT_INT(sqlite3_busy_timeout(db, 5000), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    pw_free(sql);
    pw_buf_done(&buf);
}

/* The clock is the test's, and jumps: what goes round by real time would look late. */
#define OTHERS (PAWL_SERVICE_OUTBOX | PAWL_SERVICE_CLEANUP | PAWL_SERVICE_DISK)

/* The first round of recovery sets right what is planted before it comes: it is over. */
static void open_and_recover(fixture *f)
{
    fixture_open(f);
    EXPECT_OK(pawl_drain(f->p, WAIT_MS, &f->err), f->err);
}

/* Rounds are gone only when a test says so. */
static void begin(fixture *f)
{
    fixture_init(f, NULL);
    f->options.audit_ms = f->options.check_ms = 86400000;
    f->options.services_off = OTHERS;
    atomic_store(&f->now_ms, NOW);
    open_and_recover(f);
}

static void go_round(fixture *f)
{
    EXPECT_OK(pw_background_wait(pw_auditor_background(f->p->auditor), pw_monotonic_ns() + WAIT_MS * UINT64_C(1000000), &f->err),
              f->err);
}

/* "KIND:WHAT ..." of the last round; `id` stands as ID in it. */
static const char *last(fixture *f, const char *id)
{
    char *text = NULL, expression[256];
    EXPECT_OK(pawl_audit(f->p, 1, &text, &f->err), f->err);
    (void)snprintf(expression, sizeof expression,
                   "[.findings[] | .kind + (if .instance == \"%s\" then \" ID\" else \"\" end) + \": \" + .what] | join(\"; \")", id);
    const char *found = ask(text, expression);
    pawl_free(text);
    return found;
}

static const char *member(fixture *f, const char *expression)
{
    char *text = NULL;
    EXPECT_OK(pawl_audit(f->p, 1, &text, &f->err), f->err);
    const char *found = ask(text, expression);
    pawl_free(text);
    return found;
}

static const char *round_error(fixture *f)
{
    static pw_service_state state;
    pw_service_look(&f->p->services[PW_SERVICE_AUDIT], &state);
    return state.failures_in_row ? state.error : "fine";
}

/* Rounds until they have found it: of what comes by itself, on other threads. */
static void until_found(fixture *f, const char *id, const char *expected)
{
    char quoted[1024];
    const uint64_t deadline = pw_monotonic_ns() + WAIT_MS * UINT64_C(1000000);
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", expected);
    unsigned rounds = 0;
    for (go_round(f); strcmp(last(f, id), quoted) != 0; go_round(f), rounds++) {
        if (rounds > 1000 && pw_monotonic_ns() > deadline) /* a machine that stood still has not gone round */
            fail_msg("%s, not %s; the last round: %s", last(f, id), quoted, round_error(f));
        (void)nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
    }
}

/* Two rounds, of which the first is not sure yet. */
static void expect_found(fixture *f, const char *id, const char *expected)
{
    char quoted[1024];
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", expected);
    go_round(f);
    EXPECT_TEXT(last(f, id), "\"\"");
    go_round(f);
    EXPECT_TEXT(last(f, id), quoted);
}

static const char user[] = "  - ask: {call: userTask, with: {title: Approve}}";

/* An instance that waits for a person, started at NOW; it is LATER now. */
static char *waiting(fixture *f)
{
    begin(f);
    deploy(f, "ask", user);
    char *id = start(f, "ask", NULL);
    EXPECT_OK(pawl_wait(f->p, id, PAWL_WAIT_SETTLED, WAIT_MS, NULL, &f->err), f->err);
    fixture_clock(f, LATER);
    return id;
}

static void end(fixture *f, char *id)
{
    pawl_free(id);
    fixture_done(f);
}

/* ------------------------------------------------------------------ rounds */

TEST(auditor, a_store_in_which_all_is_well_has_no_findings)
{
    fixture f;
    char *id = waiting(&f);
    deploy(&f, "rest", "  - rest: {wait: {hours: 2}}");
    deploy(&f, "hear", "  - hear: {listen: {to: {one: {with: {type: paid}}}}}");
    deploy(&f, "parent", "  - child: {run: {workflow: {namespace: test, name: ask, version: 1.0.0}}}");
    deploy(&f, "alone", "  - child: {run: {workflow: {namespace: test, name: ask, version: 1.0.0}, await: false}}");
    static const char *const names[] = { "rest", "hear", "parent", "alone" };
    for (size_t i = 0; i < PW_LENGTH(names); i++)
        pawl_free(start(&f, names[i], NULL));
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    fixture_clock(&f, LATER + 120000u);
    expect_found(&f, id, "");
    EXPECT_TEXT(member(&f, "[.checked.asleep >= 6, .checked.gap > 6, .partial, .more]"), "[true,true,null,null]");
    EXPECT_TEXT(member(&f, ".at"), "\"2027-01-15T08:04:00.000Z\"");
    end(&f, id);
}

TEST(auditor, what_is_found_counts_after_two_rounds_and_is_gone_when_it_is_set_right)
{
    fixture f;
    pw_audit_counts counts;
    char *id = waiting(&f);
    raw(&f, "UPDATE bookmark SET ended_ms = 1 WHERE instance = '@ID'", id);
    expect_found(&f, id, "asleep ID: it waits, and nothing is there that could move it");
    EXPECT_TEXT(member(&f, ".findings[0] | [.level, .since, (.cause | length > 20), (.remedy | length > 20)]"),
                "[\"error\",\"2027-01-15T08:00:00.000Z\",true,true]");
    pw_auditor_count(f.p->auditor, &counts);
    EXPECT(counts.errors == 1 && counts.warnings == 0);
    raw(&f, "UPDATE bookmark SET ended_ms = NULL WHERE instance = '@ID'", id);
    go_round(&f);
    EXPECT_TEXT(last(&f, id), "\"\"");
    pw_auditor_count(f.p->auditor, &counts);
    EXPECT(counts.errors == 0 && counts.warnings == 0);
    end(&f, id);
}

TEST(auditor, who_asks_looks_at_once_and_does_not_wait_for_a_round)
{
    fixture f;
    char *id = waiting(&f), *text = NULL;
    raw(&f, "UPDATE bookmark SET ended_ms = 1 WHERE instance = '@ID'", id);
    EXPECT_OK(pawl_audit(f.p, 0, &text, &f.err), f.err);
    EXPECT_ASK(text, "[.findings[].kind]", "[\"asleep\"]");
    pawl_free(text);
    EXPECT_TEXT(member(&f, "[.at, (.findings | length)]"), "[null,0]"); /* it has not been round */
    end(&f, id);
}

TEST(auditor, one_that_is_switched_off_goes_no_round_and_says_so)
{
    fixture f;
    char *text = NULL;
    fixture_init(&f, NULL);
    f.options.services_off = PAWL_SERVICE_AUDIT;
    fixture_open(&f);
    EXPECT(pw_auditor_background(f.p->auditor) == NULL);
    EXPECT_OK(pawl_components(f.p, &text, &f.err), f.err);
    EXPECT_ASK(text, "[.status, (.components[] | select(.name == \"audit\") | .status)]", "[\"up\",\"disabled\"]");
    pawl_free(text);
    fixture_done(&f);
}

TEST(auditor, a_round_goes_on_where_the_one_before_stopped_and_comes_back_to_what_it_has_found)
{
    fixture f;
    char *id = waiting(&f);
    /* 25,000 that have ended, whose logs lack nothing; and one whose log lacks its first step, behind all of them */
    raw(&f, "INSERT INTO instance SELECT printf('%026d', n), 0, namespace, name, version, 'completed', 1, 1, 1, 1, NULL, NULL, '', NULL,"
            " NULL, NULL, 0, NULL, NULL, NULL, state_format, state, NULL FROM instance,"
            " (WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 25000) SELECT n FROM c) WHERE id = '@ID';"
            "INSERT INTO step (instance, sequence, event, at_ms, actor, epoch, entries) SELECT id, 1, 'start', 1, 's', 0, '[]'"
            " FROM instance WHERE created_ms = 1;"
            "DROP TRIGGER step_is_never_deleted_alone; DELETE FROM step WHERE instance = '@ID' AND sequence = 1", id);
    go_round(&f);
    EXPECT_TEXT(member(&f, "[.partial, (.findings | length)]"), "[true,0]");
    go_round(&f);
    go_round(&f);
    go_round(&f); /* the second look at that page */
    char expected[128];
    (void)snprintf(expected, sizeof expected, "\"gap ID: its log has no step 1, which was its last\"");
    EXPECT_TEXT(last(&f, id), expected);
    end(&f, id);
}

/* ------------------------------------------------------------------ rows */

TEST(auditor, a_timer_that_is_overdue_is_found_with_the_reason)
{
    fixture f;
    begin(&f);
    deploy(&f, "rest", "  - rest: {wait: {seconds: 10}}");
    char *id = start(&f, "rest", NULL);
    EXPECT_OK(pawl_wait(f.p, id, PAWL_WAIT_IDLE, WAIT_MS, NULL, &f.err), f.err);
    fixture_close(&f);
    f.options.services_off = OTHERS | PAWL_SERVICE_TIMERS;
    fixture_open(&f);
    fixture_clock(&f, LATER);
    expect_found(&f, id, "overdue ID: it was to be woken, and was not");
    EXPECT_TEXT(member(&f, ".findings[0] | [.since, .cause]"),
                "[\"2027-01-15T08:00:10.000Z\",\"the timer service is switched off in this process\"]");
    end(&f, id);
}

TEST(auditor, one_that_is_to_be_driven_and_is_not_is_found)
{
    fixture f;
    char *id = waiting(&f);
    raw(&f, "UPDATE instance SET wake_at = 0 WHERE id = '@ID'", id);
    expect_found(&f, id, "overdue ID: it has something to do, and nobody is at it");
    end(&f, id);
}

TEST(auditor, one_that_its_owner_is_at_for_long_is_no_finding)
{
    fixture f;
    begin(&f);
    deploy(&f, "work", "  - work: {call: gate, with: {}}");
    char *id = start(&f, "work", NULL);
    gate_wait_entered(&f.gate, 1);
    fixture_clock(&f, LATER);
    expect_found(&f, id, "");
    EXPECT_TEXT(member(&f, ".checked.overdue"), "1");
    gate_open(&f.gate, 1);
    pawl_free(finish(&f, id));
    end(&f, id);
}

TEST(auditor, a_call_that_nobody_makes_is_found)
{
    fixture f;
    char *id = waiting(&f);
    raw(&f, "INSERT INTO external_call (instance, key, visit, attempt, attempts, state, created_ms, timeout_ms, task, kind, endpoint, method,"
            " request) VALUES ('@ID', 'key-1', 9, 1, 1, 'pending', 1799999990000, 1000, '/do/0/pay', 'http', 'http://x/', 'GET', '{}')", id);
    expect_found(&f, id, "call ID: a call is pending that nobody is to make: key-1");
    EXPECT_OK(pawl_cancel(f.p, id, NULL, NULL, &f.err), f.err);
    expect_found(&f, "", "call: a call is pending although it has ended: key-1");
    end(&f, id);
}

TEST(auditor, a_log_with_a_step_that_was_never_made_is_found)
{
    fixture f;
    char *id = waiting(&f);
    raw(&f, "INSERT INTO step (instance, sequence, event, at_ms, actor, epoch, entries) VALUES ('@ID', 2, 'start', 1800000000000, 's', 0, '[]')", id);
    expect_found(&f, id, "gap ID: its log has step 2, which it has never made");
    EXPECT_TEXT(member(&f, ".findings[0] | [.level, .since, .remedy]"),
                "[\"error\",\"2027-01-15T08:00:00.000Z\",\"`pawl check` looks at the whole file; restore the store from a backup\"]");
    end(&f, id);
}

TEST(auditor, a_log_with_a_gap_is_found)
{
    fixture f;
    begin(&f);
    deploy(&f, "three", "  - one: {call: echo, with: {}}\n  - two: {call: echo, with: {}}\n  - ask: {call: userTask, with: {title: x}}");
    char *id = start(&f, "three", NULL);
    EXPECT_OK(pawl_wait(f.p, id, PAWL_WAIT_SETTLED, WAIT_MS, NULL, &f.err), f.err);
    fixture_clock(&f, LATER);
    raw(&f, "DROP TRIGGER step_is_never_deleted_alone; DELETE FROM step WHERE instance = '@ID' AND sequence = 2", id);
    expect_found(&f, id, "gap ID: its log has no step right before step 3");
    EXPECT_TEXT(member(&f, ".findings[0].remedy"), "\"`pawl check` looks at the whole file; restore the store from a backup\"");
    end(&f, id);
}

/* Its parent waits for it. */
static char *have_child(fixture *f, char **parent)
{
    begin(f);
    deploy(f, "ask", user);
    deploy(f, "parent", "  - child: {run: {workflow: {namespace: test, name: ask, version: 1.0.0}}}");
    *parent = start(f, "parent", NULL);
    EXPECT_OK(pawl_drain(f->p, WAIT_MS, &f->err), f->err);
    char *text = show(f, *parent);
    const char *child = ask(text, ".waits[0].child");
    char *id = pw_strdup((pw_str){ child + 1, PW_ID_LENGTH });
    pawl_free(text);
    fixture_clock(f, LATER);
    return id;
}

TEST(auditor, a_child_whose_parent_does_not_wait_for_it_is_found)
{
    fixture f;
    char *parent = NULL, expected[256];
    char *child = have_child(&f, &parent);
    raw(&f, "UPDATE bookmark SET ended_ms = 1 WHERE key = '@ID'", child);
    (void)snprintf(expected, sizeof expected, "asleep: it waits, and nothing is there that could move it; "
                   "orphan ID: its parent %s does not wait for it any more, and has not told it", parent);
    expect_found(&f, child, expected);
    raw(&f, "PRAGMA foreign_keys = OFF; DELETE FROM instance WHERE id = (SELECT parent FROM instance WHERE id = '@ID')", child);
    (void)snprintf(expected, sizeof expected, "orphan ID: its parent %s is not there, and it would tell it how it ends", parent);
    go_round(&f);
    go_round(&f);
    EXPECT_CONTAINS(last(&f, child), expected);
    pawl_free(parent);
    end(&f, child);
}

TEST(auditor, a_child_that_is_not_there_moves_nobody)
{
    fixture f;
    char *parent = NULL, expected[512];
    char *child = have_child(&f, &parent);
    raw(&f, "PRAGMA foreign_keys = ON; DELETE FROM inbox WHERE target = '@ID'; DELETE FROM instance WHERE id = '@ID'", child);
    (void)snprintf(expected, sizeof expected,
                   "asleep ID: it waits, and nothing is there that could move it; "
                   "bookmark ID: it waits for the child %s, which is not there, or has ended without telling", child);
    expect_found(&f, parent, expected);
    pawl_free(child);
    end(&f, parent);
}

TEST(auditor, an_event_that_nobody_publishes_is_found)
{
    fixture f;
    char *id = waiting(&f);
    raw(&f, "INSERT INTO outbox (instance, step, ordinal, type, source, created_ms, payload) VALUES ('@ID', 1, 7, 't', 's', 1, '{}'), ('@ID', 1,"
            " 8, 't', 's', 1, '{}');"
            "INSERT INTO outbox_delivery (instance, step, ordinal, sink, partition, state, next_at, created_ms) SELECT id, 1, 7, 'shop',"
            " partition, 'pending', 1799999990000, 1 FROM instance WHERE id = '@ID' UNION ALL SELECT id, 1, 8, 'bus', partition, 'pending', NULL,"
            " 1799999990000 FROM instance WHERE id = '@ID'", id);
    expect_found(&f, id, "sink: 1 event waits for the sink 'bus'; sink: 1 event waits for the sink 'shop'; "
                         "event ID: an event of its step 1 is held back at the sink 'bus', and nothing is there that it waits for; "
                         "event ID: an event of its step 1 is due at the sink 'shop', and is not published");
    end(&f, id);
}

TEST(auditor, what_cannot_be_read_is_trouble_and_its_inbox_waits)
{
    fixture f;
    char *id = waiting(&f);
    fixture_close(&f);
    raw(&f, "UPDATE instance SET state = '{', wake_at = 0 WHERE id = '@ID'; INSERT INTO inbox (target, dedupe_key, partition, kind, created_ms,"
            " payload) SELECT id, 'k', partition, 'cancel', 1799999990000, '{}' FROM instance WHERE id = '@ID'", id);
    fixture_open(&f);
    for (int i = 0; i < 3; i++) /* the first may be the one that has it read */
        go_round(&f);
    EXPECT_TEXT(member(&f, "[.findings[].kind] | sort"), "[\"inbox\",\"overdue\",\"trouble\"]");
    EXPECT_TEXT(member(&f, "[.findings[].cause] | unique | length"), "1"); /* the same: its state */
    EXPECT_CONTAINS(member(&f, ".findings[0].cause"), "state");
    end(&f, id);
}

TEST(auditor, a_message_that_is_not_taken_is_found)
{
    fixture f;
    char *id = waiting(&f);
    fixture_close(&f);
    raw(&f, "INSERT INTO message (number, source, id, type, state, actor, received_ms, expires_ms, nonce, body) VALUES (77, '/s', 'm', 't',"
            " 'delivered', 'a', 1, 1900000000000, 0, '{}');"
            "UPDATE instance SET state = '{' WHERE id = '@ID';"
            "INSERT INTO delivery (instance, visit, number, partition, created_ms) SELECT id, 5, 77, partition, 1799999990000 FROM instance"
            " WHERE id = '@ID'", id);
    fixture_open(&f);
    go_round(&f);
    go_round(&f);
    EXPECT_CONTAINS(last(&f, id), "delivery ID: message 77 is to be taken where it does not listen any more");
    end(&f, id);
}

#define MESSAGE \
    "INSERT INTO message (number, source, id, type, state, actor, received_ms, expires_ms, nonce, body) VALUES (77, '/s', 'm', 't'," \
    " 'delivered', 'a', 1, 1900000000000, 0, '{}');"

TEST(auditor, a_message_for_one_that_has_ended_is_found)
{
    fixture f;
    char *id = waiting(&f);
    EXPECT_OK(pawl_cancel(f.p, id, NULL, NULL, &f.err), f.err);
    raw(&f, MESSAGE "INSERT INTO delivery (instance, visit, number, partition, created_ms) SELECT id, 5, 77, partition, 1799999990000 FROM"
                    " instance WHERE id = '@ID'", id);
    expect_found(&f, id, "delivery ID: message 77 is to be taken by it, and it has ended");
    EXPECT_TEXT(member(&f, ".findings[0] | [.level, .since, .remedy]"),
                "[\"error\",\"2027-01-15T07:59:50.000Z\",\"the message reaches nobody: send it again\"]");
    end(&f, id);
}

TEST(auditor, a_message_that_nobody_has_told_of_is_found)
{
    fixture f;
    begin(&f);
    deploy(&f, "hear", "  - hear: {listen: {to: {one: {with: {type: t}}}}}");
    char *id = start(&f, "hear", NULL);
    EXPECT_OK(pawl_wait(f.p, id, PAWL_WAIT_SETTLED, WAIT_MS, NULL, &f.err), f.err);
    fixture_clock(&f, LATER);
    raw(&f, MESSAGE "INSERT INTO delivery (instance, visit, number, partition, created_ms) SELECT instance, visit, 77, partition,"
                    " 1799999990000 FROM bookmark JOIN instance ON id = instance WHERE instance = '@ID'", id);
    expect_found(&f, id, "delivery ID: message 77 was delivered, and it does not take it");
    EXPECT_TEXT(member(&f, ".findings[0] | [.level, .cause]"), "[\"error\",\"nobody told it, or it does not get on\"]");
    end(&f, id);
}

TEST(auditor, a_bookmark_that_outlives_its_instance_is_found)
{
    fixture f;
    char *id = waiting(&f);
    EXPECT_OK(pawl_cancel(f.p, id, NULL, NULL, &f.err), f.err);
    raw(&f, "UPDATE bookmark SET ended_ms = NULL, consumed = 0 WHERE instance = '@ID'", id);
    expect_found(&f, id, "bookmark ID: bookmark 'ask-1' is open although it has ended");
    end(&f, id);
}

TEST(auditor, an_incident_that_contradicts_its_instance_is_found)
{
    fixture f;
    begin(&f);
    deploy(&f, "fail", "  - work: {call: failing, with: {}}");
    char *id = start(&f, "fail", NULL);
    pawl_free(finish(&f, id));
    fixture_clock(&f, LATER);
    expect_found(&f, id, "incidents: 1 incident is open");
    EXPECT_TEXT(member(&f, ".findings[0].level"), "\"warning\"");
    raw(&f, "UPDATE fault SET resolved_ms = 1, resolved_by = 'x', resolution = 'retried' WHERE instance = '@ID'", id);
    expect_found(&f, id, "incident ID: it has faulted, and no incident says so");
    raw(&f, "UPDATE fault SET resolved_ms = NULL, resolved_by = NULL, resolution = NULL WHERE instance = '@ID';"
            "UPDATE instance SET status = 'waiting', ended_ms = NULL, wake_at = 2000000000000 WHERE id = '@ID'", id);
    go_round(&f);
    go_round(&f);
    EXPECT_TEXT(last(&f, id), "\"incidents: 1 incident is open; asleep ID: it waits, and nothing is there that could move it; "
                              "incident ID: an incident of it is open although it goes on\"");
    end(&f, id);
}

/* ------------------------------------------------------------------ parts */

TEST(auditor, a_service_that_fails_or_does_not_go_round_is_found)
{
    fixture f;
    begin(&f);
    pawl_error failure;
    pw_service *cleanup = &f.p->services[PW_SERVICE_CLEANUP], *outbox = &f.p->services[PW_SERVICE_OUTBOX];
    (void)pw_fail(&failure, PAWL_IO, "the disk is away");
    pw_service_expect(cleanup, 3600000, true);
    pw_service_begin(cleanup, NOW);
    pw_service_end(cleanup, NOW, 0, 0, &failure);
    pw_service_expect(outbox, 5000, true);
    pw_service_begin(outbox, NOW);
    fixture_clock(&f, LATER);
    expect_found(&f, "", "service: the service 'outbox' has begun no round since, and should every 5 s; "
                         "service: the service 'cleanup' has failed in its last round");
    EXPECT_TEXT(member(&f, "[.findings[].cause]"), "[\"its round has not come to an end\",\"the disk is away\"]");
    char *text = NULL;
    EXPECT_OK(pawl_components(f.p, &text, &f.err), f.err);
    EXPECT_ASK(text, "[.status, .findings, (.components[] | select(.name == \"outbox\" or .name == \"cleanup\") | [.status, .lastError])]",
               "[\"degraded\",2,[\"overdue\",null],[\"failing\",\"the disk is away\"]]");
    pawl_free(text);
    pw_service_end(outbox, NOW, 0, 0, NULL); /* it has come to its end, and begins no other */
    pw_service_begin(cleanup, LATER);
    pw_service_end(cleanup, LATER, 0, 0, &failure);
    go_round(&f);
    EXPECT_TEXT(member(&f, "[.findings[] | [.level, .what, .since, .cause]]"),
                "[[\"error\",\"the service 'outbox' has begun no round since, and should every 5 s\",\"2027-01-15T08:00:00.000Z\","
                "\"its thread does not get on\"],"
                "[\"error\",\"the service 'cleanup' has failed in its last 2 rounds\",\"2027-01-15T08:02:00.000Z\",\"the disk is away\"]]");
    fixture_done(&f);
}

TEST(auditor, a_store_that_takes_nothing_is_found)
{
    fixture f;
    begin(&f);
    deploy(&f, "work", "  - work: {call: gate, with: {}}");
    char *id = start(&f, "work", NULL);
    gate_wait_entered(&f.gate, 1);
    fill_disk(true);
    gate_open(&f.gate, 1);
    EXPECT_INT(pawl_wait(f.p, id, PAWL_WAIT_END, WAIT_MS, NULL, &f.err), PAWL_IO); /* its result is not written */
    expect_found(&f, id, "store: the store takes nothing: what runs waits, and commands are refused");
    EXPECT_TEXT(member(&f, ".findings[0] | [.level, .remedy]"),
                "[\"error\",\"set the cause right: it goes on by itself then, nothing is lost\"]");
    EXPECT_CONTAINS(member(&f, ".findings[0].cause"), "pawl.db");
    char *text = NULL;
    EXPECT_OK(pawl_components(f.p, &text, &f.err), f.err);
    EXPECT_ASK(text, "[.status, .store.status, .findings]", "[\"down\",\"degraded\",1]");
    pawl_free(text);
    fill_disk(false);
    until_found(&f, id, "");
    pawl_free(finish(&f, id));
    end(&f, id);
}

TEST(auditor, a_disk_with_little_room_is_a_warning_and_a_full_one_an_error)
{
    fixture f;
    fixture_init(&f, NULL);
    f.options.audit_ms = f.options.check_ms = 86400000;
    f.options.disk_low = 100 << 20;
    f.options.disk_full = 50 << 20;
    f.options.services_off = PAWL_SERVICE_OUTBOX | PAWL_SERVICE_CLEANUP;
    atomic_store(&f.now_ms, NOW);
    fixture_open(&f);
    static const struct {
        uint64_t mib;
        const char *expected;
    } cases[] = {
        { 99, "[[\"disk\",\"warning\",\"the disk of the store has N MiB left: nothing is started\"]]" },
        { 49, "[[\"disk\",\"error\",\"the disk of the store has N MiB left: everything pauses\"]]" },
        { 200, "[]" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pw_disk_pretend(f.p->disk, cases[i].mib << 20);
        EXPECT_OK(pw_disk_look(f.p->disk, pw_monotonic_ns() + WAIT_MS * UINT64_C(1000000), &f.err), f.err);
        go_round(&f);
        go_round(&f);
        /* others may fail of it meanwhile */
        EXPECT_TEXT(member(&f, "[.findings[] | select(.kind == \"disk\") | [.kind, .level, (.what | sub(\"[0-9]+\"; \"N\"))]]"), cases[i].expected);
    }
    fixture_done(&f);
}

TEST(auditor, a_write_ahead_log_that_has_grown_is_told)
{
    fixture f;
    char *id = waiting(&f), log[600];
    (void)snprintf(log, sizeof log, "%s-wal", f.store);
    EXPECT_INT(truncate(log, 300 << 20), 0); /* behind its end is nothing: it is a hole in the file */
    expect_found(&f, id, "wal: the write-ahead log has 300 MiB");
    EXPECT_TEXT(member(&f, ".findings[0] | [.level, .remedy]"),
                "[\"warning\",\"end the program that reads: a backup, or an SQL shell\"]");
    EXPECT_INT(truncate(log, 256 << 20), 0);
    go_round(&f);
    EXPECT_TEXT(last(&f, id), "\"\"");
    end(&f, id);
}

/* ------------------------------------------------------------------ sinks */

static pawl_sink_options hook; /* of the running test */

/* An event is emitted to a sink that answers as it is told to. What is late by 1 ms is late; what has failed is tried again
 * within the hour. */
static void emit_to(trouble *t, int status)
{
    trouble_init(t, NULL);
    t->resilience.base_delay_ms = t->resilience.max_delay_ms = 3600000;
    hook = (pawl_sink_options){ .struct_size = sizeof hook, .name = "hook", .type = "http", .url = service_url(t->s, "/hook"), .types = "t" };
    t->f.options.sinks = &hook;
    t->f.options.sink_count = 1;
    t->f.options.audit_ms = t->f.options.check_ms = t->f.options.outbox_ms = 86400000;
    t->f.options.overdue_ms = 1;
    t->f.options.services_off = PAWL_SERVICE_CLEANUP | PAWL_SERVICE_DISK;
    service_on(t->s, "/hook", (service_answer){ .status = status });
    trouble_open(t);
    deploy(&t->f, "one", "  - e: {emit: {event: {with: {type: t, source: /s}}}}");
    char *id = start(&t->f, "one", NULL);
    pawl_free(finish(&t->f, id));
    pawl_free(id);
}

TEST(auditor, a_sink_that_fails_is_told_with_its_error)
{
    trouble t;
    emit_to(&t, 503);
    service_wait_requests(t.s, 1);
    fixture_clock(&t.f, TIME0 + 10); /* the next try is not due yet */
    until_found(&t.f, "", "sink: 1 event waits for the sink 'hook'");
    EXPECT_TEXT(member(&t.f, ".findings[0] | [.level, .since, .remedy]"),
                "[\"warning\",\"2027-01-15T08:00:00.000Z\",\"set the sink right: it is tried again by itself; `pawl sinks` shows them\"]");
    EXPECT_CONTAINS(member(&t.f, ".findings[0].cause"), "503");
    trouble_done(&t);
}

TEST(auditor, dead_letters_are_told)
{
    trouble t;
    emit_to(&t, 400);
    until_found(&t.f, "", "dead-letters: 1 event is a dead letter at the sink 'hook'");
    EXPECT_TEXT(member(&t.f, ".findings[0] | [.level, .cause, .remedy]"),
                "[\"warning\",\"the sink has refused them, or failed too often\","
                "\"`pawl deadletter list` says why; requeue them, or discard them\"]");
    trouble_done(&t);
}

TEST(auditor, a_job_that_no_worker_polls_for_is_found)
{
    fixture f;
    begin(&f);
    deploy(&f, "charge", "  - pay: {call: charge, with: {}}");
    char *id = start(&f, "charge", NULL);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    fixture_clock(&f, LATER);
    expect_found(&f, id, "job ID: 1 job waits for a worker of 'charge', this one for longest");
    EXPECT_TEXT(member(&f, ".findings[0] | [.level, .task, .since, .cause]"),
                "[\"warning\",\"/do/0/pay\",\"2027-01-15T08:00:00.000Z\",\"no worker polls for 'charge'\"]");
    end(&f, id);
}

TEST(auditor, a_job_whose_lease_is_over_and_does_not_end_is_found)
{
    fixture f;
    char *text = NULL;
    static const char *const functions[] = { "charge" };
    fixture_init(&f, NULL);
    f.options.audit_ms = f.options.check_ms = 86400000;
    f.options.overdue_ms = 1;
    f.options.services_off = OTHERS;
    atomic_store(&f.now_ms, NOW);
    fixture_open(&f);
    deploy(&f, "charge", "  - pay: {call: charge, with: {}}");
    char *id = start(&f, "charge", NULL);
    const pawl_poll_options poll = { .struct_size = sizeof poll, .functions = functions, .function_count = 1, .wait_ms = WAIT_MS,
                                     .lease_ms = 1000, .worker = "w1" };
    EXPECT_OK(pawl_jobs_poll(f.p, &poll, &text, &f.err), f.err);
    EXPECT_ASK(text, ".jobs | length", "1");
    pawl_free(text);
    pw_jobs_stop(f.p->jobs); /* its thread ends no lease any more */
    until_found(&f, id, "job ID: the lease of its job 'charge' is over, and did not end");
    EXPECT_TEXT(member(&f, ".findings[0] | [.level, .task, .cause]"),
                "[\"error\",\"/do/0/pay\",\"the thread that ends leases does not get on\"]");
    (void)pw_board_work(pw_jobs_board(f.p->jobs)); /* as it would */
    until_found(&f, id, "");
    end(&f, id);
}

/* A clock that stops the thread of the driver as soon as a call is sent. */
typedef struct stuck {
    fixture f;
    atomic_bool armed, let_go;
} stuck;

static bool has_sent(pawl *p)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_http_service *services = NULL;
    size_t count = 0;
    const bool sent = pw_http_services(p->http, &services, &count, &arena, NULL) == PAWL_OK && count > 0 && services[0].active > 0;
    pw_arena_done(&arena);
    return sent;
}

static uint64_t stuck_now(void *context)
{
    static _Thread_local bool asks; /* who asks for services asks for the time, too */
    stuck *s = context;
    char thread[16] = "";
    (void)pthread_getname_np(pthread_self(), thread, sizeof thread);
    if (atomic_load(&s->armed) && !asks && strcmp(thread, "pawl-http") == 0) {
        asks = true;
        while (has_sent(s->f.p) && !atomic_load(&s->let_go))
            (void)nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
        asks = false;
    }
    return NOW;
}

TEST(auditor, a_call_whose_time_is_over_and_does_not_end_is_found)
{
    stuck s = { .armed = false };
    service *to = service_new();
    char body[256], what[256];
    service_on(to, "/pay", (service_answer){ .hold = true });
    fixture_init(&s.f, NULL);
    s.f.options.audit_ms = s.f.options.check_ms = 86400000;
    s.f.options.overdue_ms = s.f.options.http_timeout_ms = 1;
    s.f.options.services_off = OTHERS;
    s.f.options.egress_allow = "loopback";
    s.f.options.now_ms = stuck_now;
    s.f.options.clock = &s;
    fixture_open(&s.f);
    atomic_store(&s.armed, true);
    (void)snprintf(body, sizeof body, "  - pay: {call: http, with: {method: get, endpoint: '%s'}}", service_url(to, "/pay"));
    deploy(&s.f, "pay", body);
    char *id = start(&s.f, "pay", NULL);
    (void)snprintf(what, sizeof what, "call ID: the time of its call of http://127.0.0.1:%d is over, and it did not end", service_port(to));
    until_found(&s.f, id, what);
    EXPECT_TEXT(member(&s.f, ".findings[0] | [.level, .cause]"), "[\"error\",\"the thread that makes calls does not get on\"]");
    atomic_store(&s.let_go, true);
    until_found(&s.f, id, "");
    end(&s.f, id);
    service_free(to);
}

TEST(auditor, a_breaker_that_is_open_is_told)
{
    fixture f;
    begin(&f);
    const pw_breaker_record record = { .service = PW_LIT("http://pay:80"), .state = PW_BREAKER_OPEN, .open_until_ms = LATER + 60000,
                                       .probe_until_ms = -1, .changed_ms = NOW, .changed_by = PW_LIT("system"), .reason = PW_LIT("10 of 10 failed") };
    pw_breaker_record now;
    pw_arena arena;
    bool won = false;
    pw_arena_init(&arena, 0);
    EXPECT_OK(pw_store_breaker_set(f.p->store, &record, &won, &now, &arena, &f.err), f.err);
    pw_arena_done(&arena);
    expect_found(&f, "", "breaker: the breaker of http://pay:80 is open until 2027-01-15T08:03:00.000Z");
    EXPECT_TEXT(member(&f, ".findings[0] | [.level, .since, .cause]"), "[\"warning\",\"2027-01-15T08:00:00.000Z\",\"10 of 10 failed\"]");
    fixture_done(&f);
}

/* ------------------------------------------------------------------ who only reads */

TEST(auditor, who_only_reads_says_what_contradicts_and_once_that_much_is_late)
{
    fixture f;
    char *id = waiting(&f), *text = NULL;
    deploy(&f, "rest", "  - rest: {wait: {seconds: 10}}");
    pawl_free(start(&f, "rest", NULL));
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    fixture_close(&f);
    raw(&f, "UPDATE bookmark SET ended_ms = 1 WHERE instance = '@ID'", id);
    atomic_store(&f.now_ms, LATER + 120000u);
    f.options.mode = PAWL_READ;
    fixture_open(&f);
    EXPECT_OK(pawl_audit(f.p, 1, &text, &f.err), f.err);
    EXPECT_ASK(text, "[.findings[] | [.kind, .what]]",
               "[[\"overdue\",\"1 timer is overdue\"],[\"asleep\",\"it waits, and nothing is there that could move it\"]]");
    pawl_free(text);
    EXPECT_OK(pawl_components(f.p, &text, &f.err), f.err);
    EXPECT_ASK(text, "[.status, .components, .store.schema]", "[\"up\",[],2]");
    pawl_free(text);
    end(&f, id);
}

TEST_MAIN()
