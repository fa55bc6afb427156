/* User tasks: who may claim, release, delegate, comment and answer, and what is told when it is
 * late. */
#include "fixture.h"

#define ASSIGNED "  - ask: { call: userTask, with: { assignedTo: ann, key: k } }\n"
#define CANDIDATES                                                                                 \
    "  - ask:\n"                                                                                   \
    "      call: userTask\n"                                                                       \
    "      with: { key: k, candidates: { users: [ ann, bob ], groups: [ leads, staff ] } }\n"
#define OPEN "  - ask: { call: userTask, with: { key: k } }\n"

/* An event of a restricted actor, in one group (NULL: in none); "": nobody is restricted. */
typedef struct who {
    const char *actor, *group;
    bool restricted;
} who;

static pw_event event_of(fixture *f, pw_event_kind kind, who w, pw_str *groups)
{
    groups[0] = PW_LIT("others");
    groups[1] = pw_str_of(w.group);
    return (pw_event){ .kind = kind,
                       .now_ms = f->now_ms,
                       .key = PW_LIT("k"),
                       .actor = pw_str_of(w.actor),
                       .restricted = w.restricted,
                       .groups = groups,
                       .group_count = w.group ? 2 : 1,
                       .until_ms = -1,
                       .payload = pw_null() };
}

static void act(fixture *f, pw_event_kind kind, who w)
{
    pw_str groups[2];
    pw_event event = event_of(f, kind, w, groups);
    fixture_event(f, &event);
}

static void claim_until(fixture *f, who w, int64_t until)
{
    pw_str groups[2];
    pw_event event = event_of(f, PW_EVENT_CLAIM, w, groups);
    event.until_ms = until;
    fixture_event(f, &event);
}

static void delegate(fixture *f, who w, const char *to)
{
    pw_str groups[2];
    pw_event event = event_of(f, PW_EVENT_DELEGATE, w, groups);
    event.to = pw_str_of(to);
    fixture_event(f, &event);
}

static void comment(fixture *f, who w, const char *text)
{
    pw_str groups[2];
    pw_event event = event_of(f, PW_EVENT_COMMENT, w, groups);
    event.reason = pw_str_of(text);
    fixture_event(f, &event);
}

static void expect_refused(fixture *f, pawl_code code, pawl_reason reason)
{
    EXPECT(!f->t.changed);
    EXPECT(!f->t.repeated);
    EXPECT_INT(f->t.code, code);
    EXPECT_INT(f->t.reason, reason);
    EXPECT(f->t.message.len > 0);
}

static void expect_change(fixture *f, const char *assigned, const char *claimed, int64_t until)
{
    EXPECT(f->t.changed);
    EXPECT_INT(f->t.bookmark_change_count, 1);
    const pw_bookmark_change *change = &f->t.bookmark_changes[0];
    EXPECT_STR(change->key, "k");
    EXPECT_INT(change->visit, 1);
    EXPECT_STR(change->assigned_to, assigned);
    EXPECT_STR(change->claimed_by, claimed);
    EXPECT_INT(change->claimed_until, until);
}

static const char *entry_text(fixture *f, size_t at)
{
    return fixture_text(f, pw_json_text(&f->arena, fixture_entry(f, at), PW_JSON_COMPACT));
}

static const who ann = { "ann", NULL, true }, bob = { "bob", NULL, true },
                 eve = { "eve", NULL, true }, lead = { "lea", "leads", true },
                 anybody = { "", NULL, true }, operator_ = { "olga", NULL, false };

/* ------------------------------------------------------------------ who may */

TEST(people, an_assignee_a_candidate_or_anybody_may_answer)
{
    static const struct {
        const char *tasks;
        who who;
        bool may;
    } cases[] = {
        { ASSIGNED, { "ann", NULL, true }, true },
        { ASSIGNED, { "eve", NULL, true }, false },
        { ASSIGNED, { "", NULL, true }, false },
        { ASSIGNED, { "olga", NULL, false }, true },
        { CANDIDATES, { "bob", NULL, true }, true },
        { CANDIDATES, { "lea", "leads", true }, true },
        { CANDIDATES, { "stu", "staff", true }, true },
        { CANDIDATES, { "eve", "strangers", true }, false },
        { CANDIDATES, { "leads", NULL, true }, false }, /* a group is no user */
        { CANDIDATES, { "eve", "ann", true }, false },
        { CANDIDATES, { "olga", NULL, false }, true },
        { OPEN, { "eve", NULL, true }, true },
        { OPEN, { "", NULL, true }, true },
        { "  - ask: { call: userTask, with: { key: k, candidates: {} } }\n",
          { "eve", NULL, true },
          false },
        { "  - ask: { call: userTask, with: { key: k, candidates: { groups: [] } } }\n",
          { "eve", "leads", true },
          false },
        { "  - ask: { call: userTask, with: { key: k, candidates: '${ null }' } }\n",
          { "eve", NULL, true },
          true },
        { "  - ask: { call: userTask, with: { key: k, assignedTo: bob, candidates: { users: [ ann "
          "] } } }\n",
          { "ann", NULL, true },
          false },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        fixture f;
        fixture_open(&f, cases[i].tasks);
        fixture_start(&f, "null");
        fixture_reload(&f);
        static const pw_event_kind kinds[] = { PW_EVENT_COMMENT, PW_EVENT_DELEGATE, PW_EVENT_CLAIM,
                                               PW_EVENT_RESUME };
        for (size_t k = 0; k < PW_LENGTH(kinds); k++) {
            if (kinds[k] == PW_EVENT_DELEGATE && cases[i].may)
                continue;
            pw_str groups[2];
            pw_event event = event_of(&f, kinds[k], cases[i].who, groups);
            event.reason = PW_LIT("text");
            event.to = PW_LIT("somebody");
            fixture_event(&f, &event);
            if (cases[i].may)
                EXPECT(f.t.changed);
            else
                expect_refused(&f, PAWL_DENIED, PAWL_REASON_NOT_YOURS);
        }
        fixture_close(&f);
    }
}

TEST(people, candidates_that_are_no_lists_of_names_fail_the_task)
{
    static const char *const bad[] = { "'${ 1 }'", "'${ [\"ann\"] }'", "{ users: '${ \"ann\" }' }",
                                       "{ groups: [ '${ 1 }' ] }", "{ users: [ '${ \"\" }' ] }" };
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        fixture f;
        char text[256];
        (void)snprintf(text, sizeof text, "  - ask: { call: userTask, with: { candidates: %s } }\n",
                       bad[i]);
        fixture_open(&f, text);
        fixture_start(&f, "null");
        EXPECT_STATUS(f, "faulted");
        EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "title"), "not candidates");
        fixture_close(&f);
    }
}

TEST(people, what_is_asked_is_in_the_bookmark)
{
    fixture f;
    fixture_open(&f, "  - ask:\n"
                     "      call: userTask\n"
                     "      with: { key: k, candidates: { groups: [ leads ] }, priority: '${ 3 + 4 "
                     "}', due: PT2H }\n");
    fixture_start(&f, "null");
    const pw_bookmark *b = &f.t.bookmarks[0];
    EXPECT_INT(b->kind, PW_BOOKMARK_USER);
    EXPECT_INT(b->priority, 7);
    EXPECT_STR(b->assigned_to, "");
    EXPECT_STR(b->candidates, "{\"groups\":[\"leads\"]}");
    EXPECT_INT(b->due_at, T0 + 7200000);
    EXPECT_TEXT(entry_text(&f, 1),
                "{\"type\":\"task.started\",\"task\":\"/do/0/ask\",\"visit\":1,\"key\":\"k\","
                "\"candidates\":{\"groups\":[\"leads\"]},\"priority\":7,"
                "\"dueAt\":\"2026-09-21T16:13:20.000Z\"}");
    fixture_close(&f);
}

TEST(people, a_priority_must_be_an_integer)
{
    static const char *const bad[] = { "'${ 1.5 }'", "'${ \"high\" }'", "'${ 2147483648 }'" };
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        fixture f;
        char text[256];
        (void)snprintf(text, sizeof text, "  - ask: { call: userTask, with: { priority: %s } }\n",
                       bad[i]);
        fixture_open(&f, text);
        fixture_start(&f, "null");
        EXPECT_STATUS(f, "faulted");
        EXPECT_TEXT(fixture_member(&f, fixture_text(&f, f.t.error), "title"), "not a priority");
        fixture_close(&f);
    }
}

/* ------------------------------------------------------------------ claims */

TEST(people, a_claim_keeps_others_out_until_it_is_over)
{
    fixture f;
    fixture_open(&f, CANDIDATES);
    fixture_start(&f, "null");
    claim_until(&f, ann, T0 + 1000);
    expect_change(&f, "", "ann", T0 + 1000);
    EXPECT_STATUS(f, "waiting");
    EXPECT_TEXT(entry_text(&f, 0),
                "{\"type\":\"bookmark.claimed\",\"task\":\"/do/0/ask\",\"visit\":1,\"key\":\"k\","
                "\"by\":\"ann\",\"until\":\"2026-09-21T14:13:21.000Z\"}");
    fixture_reload(&f);
    act(&f, PW_EVENT_CLAIM, bob);
    expect_refused(&f, PAWL_CONFLICT, PAWL_REASON_CLAIMED);
    EXPECT_STR(f.t.message, "'k' is claimed by 'ann' until 2026-09-21T14:13:21.000Z");
    act(&f, PW_EVENT_RESUME, bob);
    expect_refused(&f, PAWL_CONFLICT, PAWL_REASON_CLAIMED);
    delegate(&f, bob, "eve");
    expect_refused(&f, PAWL_CONFLICT, PAWL_REASON_CLAIMED);
    act(&f, PW_EVENT_CLAIM, operator_); /* nobody claims in spite of a claim */
    expect_refused(&f, PAWL_CONFLICT, PAWL_REASON_CLAIMED);
    f.now_ms = T0 + 999;
    act(&f, PW_EVENT_CLAIM, bob);
    expect_refused(&f, PAWL_CONFLICT, PAWL_REASON_CLAIMED);
    f.now_ms = T0 + 1000; /* over */
    act(&f, PW_EVENT_CLAIM, bob);
    expect_change(&f, "", "bob", -1);
    fixture_close(&f);
}

TEST(people, a_claim_is_extended_by_who_has_it_and_repeated_without_effect)
{
    fixture f;
    fixture_open(&f, ASSIGNED);
    fixture_start(&f, "null");
    claim_until(&f, ann, T0 + 1000);
    claim_until(&f, ann, T0 + 1000);
    EXPECT(!f.t.changed);
    EXPECT(f.t.repeated);
    EXPECT_INT(f.t.code, PAWL_OK);
    claim_until(&f, ann, T0 + 5000);
    expect_change(&f, "ann", "ann", T0 + 5000);
    claim_until(&f, ann, -1);
    expect_change(&f, "ann", "ann", -1);
    claim_until(&f, ann, -1);
    EXPECT(f.t.repeated);
    claim_until(&f, ann, T0);
    expect_refused(&f, PAWL_INVALID, PAWL_REASON_NONE);
    fixture_close(&f);
}

TEST(people, who_has_claimed_may_answer_and_so_may_an_operator)
{
    for (int i = 0; i < 2; i++) {
        fixture f;
        fixture_open(&f, CANDIDATES);
        fixture_start(&f, "null");
        act(&f, PW_EVENT_CLAIM, lead);
        fixture_reload(&f);
        act(&f, PW_EVENT_RESUME, i ? operator_ : lead);
        EXPECT_STATUS(f, "completed");
        EXPECT_INT(f.t.bookmark_end_count, 1);
        EXPECT(f.t.bookmark_ends[0].consumed);
        EXPECT_STR(f.t.bookmark_ends[0].by, i ? "olga" : "lea");
        fixture_close(&f);
    }
}

TEST(people, a_claim_is_released_by_who_has_it_or_by_an_operator)
{
    fixture f;
    fixture_open(&f, CANDIDATES);
    fixture_start(&f, "null");
    act(&f, PW_EVENT_RELEASE, ann);
    expect_refused(&f, PAWL_STATE, PAWL_REASON_NOT_CLAIMED);
    claim_until(&f, ann, T0 + 1000);
    act(&f, PW_EVENT_RELEASE, bob);
    expect_refused(&f, PAWL_DENIED, PAWL_REASON_NOT_YOURS);
    act(&f, PW_EVENT_RELEASE, ann);
    expect_change(&f, "", "", -1);
    EXPECT_TEXT(entry_text(&f, 0),
                "{\"type\":\"bookmark.released\",\"task\":\"/do/0/ask\",\"visit\":1,\"key\":\"k\","
                "\"by\":\"ann\",\"claimedBy\":\"ann\"}");
    act(&f, PW_EVENT_CLAIM, bob);
    fixture_reload(&f);
    act(&f, PW_EVENT_RELEASE, operator_);
    EXPECT_TEXT(entry_text(&f, 0),
                "{\"type\":\"bookmark.released\",\"task\":\"/do/0/ask\",\"visit\":1,\"key\":\"k\","
                "\"by\":\"olga\",\"claimedBy\":\"bob\"}");
    claim_until(&f, bob, T0 + 1000);
    f.now_ms = T0 + 1000;
    act(&f, PW_EVENT_RELEASE, bob); /* it is over */
    expect_refused(&f, PAWL_STATE, PAWL_REASON_NOT_CLAIMED);
    fixture_close(&f);
}

TEST(people, a_claim_without_a_name_is_the_system_s)
{
    fixture f;
    fixture_open(&f, OPEN);
    fixture_start(&f, "null");
    act(&f, PW_EVENT_CLAIM, anybody);
    expect_change(&f, "", "system", -1);
    act(&f, PW_EVENT_CLAIM, anybody);
    EXPECT(f.t.repeated);
    act(&f, PW_EVENT_RESUME, eve);
    expect_refused(&f, PAWL_CONFLICT, PAWL_REASON_CLAIMED);
    act(&f, PW_EVENT_RESUME, anybody);
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ delegation, comments */

TEST(people, a_delegated_task_is_another_person_s)
{
    fixture f;
    fixture_open(&f, ASSIGNED);
    fixture_start(&f, "null");
    act(&f, PW_EVENT_CLAIM, ann);
    delegate(&f, ann, "eve");
    expect_change(&f, "eve", "", -1);
    EXPECT_TEXT(entry_text(&f, 0),
                "{\"type\":\"bookmark.delegated\",\"task\":\"/do/0/ask\",\"visit\":1,\"key\":\"k\","
                "\"by\":\"ann\",\"to\":\"eve\",\"from\":\"ann\"}");
    fixture_reload(&f);
    act(&f, PW_EVENT_RESUME, ann);
    expect_refused(&f, PAWL_DENIED, PAWL_REASON_NOT_YOURS);
    EXPECT_STR(f.t.message, "'k' is assigned to 'eve', not to 'ann'");
    delegate(&f, eve, "eve");
    EXPECT(f.t.repeated);
    delegate(&f, eve, "");
    expect_refused(&f, PAWL_INVALID, PAWL_REASON_NONE);
    act(&f, PW_EVENT_CLAIM, eve);
    delegate(&f, operator_, "bob"); /* in spite of the claim, which ends */
    expect_change(&f, "bob", "", -1);
    act(&f, PW_EVENT_RESUME, bob);
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

TEST(people, a_comment_goes_into_the_log)
{
    fixture f;
    fixture_open(&f, CANDIDATES);
    fixture_start(&f, "null");
    act(&f, PW_EVENT_CLAIM, ann);
    comment(&f, bob, "I have seen it");
    EXPECT(f.t.changed);
    EXPECT_INT(f.t.bookmark_change_count, 0);
    EXPECT_TEXT(entry_text(&f, 0),
                "{\"type\":\"bookmark.commented\",\"task\":\"/do/0/ask\",\"visit\":1,\"key\":\"k\","
                "\"by\":\"bob\",\"text\":\"I have seen it\"}");
    comment(&f, bob, "");
    expect_refused(&f, PAWL_INVALID, PAWL_REASON_NONE);
    comment(&f, eve, "hello");
    expect_refused(&f, PAWL_DENIED, PAWL_REASON_NOT_YOURS);
    fixture_close(&f);
}

TEST(people, commands_are_of_open_user_tasks)
{
    static const pw_event_kind kinds[] = { PW_EVENT_CLAIM, PW_EVENT_RELEASE, PW_EVENT_DELEGATE,
                                           PW_EVENT_COMMENT };
    for (size_t i = 0; i < PW_LENGTH(kinds); i++) {
        fixture f;
        fixture_open(&f, "  - k: { wait: PT1H }\n" OPEN);
        fixture_start(&f, "null");
        act(&f, kinds[i], ann);
        expect_refused(&f, PAWL_NOT_FOUND, PAWL_REASON_NO_BOOKMARK);
        pw_str groups[2];
        pw_event event = event_of(&f, kinds[i], ann, groups);
        event.key = PW_LIT("k-1");
        fixture_event(&f, &event);
        expect_refused(&f, PAWL_CONFLICT, PAWL_REASON_WRONG_KIND);
        fixture_command(&f, PW_EVENT_CANCEL, "ann", "");
        act(&f, kinds[i], ann);
        expect_refused(&f, PAWL_STATE, PAWL_REASON_ENDED);
        fixture_close(&f);
    }
}

TEST(people, a_suspended_task_is_claimed_and_delegated_all_the_same)
{
    fixture f;
    fixture_open(&f, ASSIGNED);
    fixture_start(&f, "null");
    fixture_command(&f, PW_EVENT_SUSPEND, "olga", "");
    act(&f, PW_EVENT_CLAIM, ann);
    expect_change(&f, "ann", "ann", -1);
    EXPECT_STATUS(f, "suspended");
    delegate(&f, ann, "bob");
    expect_change(&f, "bob", "", -1);
    act(&f, PW_EVENT_RESUME, bob);
    EXPECT_TEXT(fixture_entries(&f), "bookmark.consumed /do/0/ask; result.kept /do/0/ask");
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_CONTINUE, "olga", "");
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

TEST(people, a_claim_in_a_wide_fork_is_found_and_kept)
{
    fixture f;
    fixture_open(&f,
                 "  - all:\n"
                 "      fork:\n"
                 "        branches:\n"
                 "          - a: { call: work }\n"
                 "          - b: { call: work }\n"
                 "          - c: { call: work }\n"
                 "          - d: { call: work }\n"
                 "          - e: { wait: PT1H }\n"
                 "          - f: { call: userTask, with: { key: other } }\n"
                 "          - g: { call: userTask, with: { key: k, assignedTo: ann, due: PT1M } }\n"
                 "          - h: { listen: { to: { one: { with: { type: t } } } } }\n");
    fixture_start(&f, "null");
    fixture_reload(&f);
    act(&f, PW_EVENT_CLAIM, ann);
    EXPECT_INT(f.t.bookmark_change_count, 1);
    EXPECT_INT(f.t.bookmark_changes[0].visit, 8);
    EXPECT_INT(f.t.branch_count, 1); /* the others are not written */
    fixture_reload(&f);
    act(&f, PW_EVENT_RESUME, bob);
    expect_refused(&f, PAWL_DENIED, PAWL_REASON_NOT_YOURS);
    fixture_timer(&f, T0 + 60000);
    EXPECT_TEXT(fixture_entries(&f), "task.due /do/0/all/fork/branches/6/g");
    fixture_reload(&f);
    act(&f, PW_EVENT_RESUME, ann);
    EXPECT(f.t.changed);
    static const char *const keys[] = { "e-6", "h-9" };
    for (size_t i = 0; i < PW_LENGTH(keys); i++) {
        fixture_resume(&f, keys[i], i ? "{\"id\":\"1\",\"source\":\"/x\",\"type\":\"t\"}" : "null",
                       "olga");
        EXPECT(f.t.changed);
        fixture_reload(&f);
    }
    fixture_close(&f);
}

/* ------------------------------------------------------------------ late */

static const char *event_text(fixture *f, const char *member)
{
    EXPECT_INT(f->t.event_count, 1);
    pw_value event;
    pawl_error err;
    EXPECT_OK(pw_json_parse(&event, f->t.events[0].payload, NULL, &f->arena, &err), err);
    pw_value v = pw_get_lit(event, member);
    return pw_is(v, PW_STRING) ? fixture_text(f, pw_text(v))
                               : fixture_text(f, pw_json_text(&f->arena, v, PW_JSON_COMPACT));
}

TEST(people, what_is_due_is_told_once_and_what_is_overdue_once)
{
    fixture f;
    fixture_open(
        &f, "  - ask:\n"
            "      call: userTask\n"
            "      with: { key: k, title: Approve, assignedTo: ann, due: PT1H, priority: 2 }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.wake_at, T0 + 3600000);
    fixture_reload(&f);
    act(&f, PW_EVENT_CLAIM, ann);
    EXPECT_INT(f.t.timer_at, T0 + 3600000);
    fixture_timer(&f, T0 + 3600000 - 1);
    EXPECT(!f.t.changed);
    fixture_timer(&f, T0 + 3600000);
    EXPECT_STATUS(f, "waiting");
    EXPECT_TEXT(entry_text(&f, 0),
                "{\"type\":\"task.due\",\"task\":\"/do/0/ask\",\"visit\":1,\"key\":\"k\","
                "\"assignedTo\":\"ann\",\"dueAt\":\"2026-09-21T15:13:20.000Z\"}");
    EXPECT_TEXT(event_text(&f, "type"), "io.pawl.usertask.due.v1");
    EXPECT_TEXT(event_text(&f, "subject"), "i1");
    EXPECT_TEXT(
        event_text(&f, "data"),
        "{\"namespace\":\"test\",\"name\":\"flow\",\"version\":\"1.0.0\",\"instance\":\"i1\","
        "\"task\":\"/do/0/ask\",\"visit\":1,\"key\":\"k\",\"title\":\"Approve\",\"priority\":2,"
        "\"assignedTo\":\"ann\",\"claimedBy\":\"ann\",\"dueAt\":\"2026-09-21T15:13:20.000Z\"}");
    EXPECT_INT(f.t.wake_at, T0 + 25 * 3600000ll);
    fixture_reload(&f);
    fixture_timer(&f, T0 + 3600000);
    EXPECT(!f.t.changed);
    fixture_timer(&f, T0 + 25 * 3600000ll);
    EXPECT_TEXT(fixture_entries(&f), "task.overdue /do/0/ask");
    EXPECT_TEXT(event_text(&f, "type"), "io.pawl.usertask.overdue.v1");
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    fixture_reload(&f);
    fixture_timer(&f, T0 + 99 * 3600000ll);
    EXPECT(!f.t.changed);
    act(&f, PW_EVENT_RESUME, ann);
    EXPECT_STATUS(f, "completed");
    fixture_close(&f);
}

TEST(people, being_late_moves_nothing)
{
    fixture f;
    fixture_open(&f, "  - ask: { call: userTask, with: { key: k, due: PT1H } }\n"
                     "  - again: { call: userTask, with: { key: k, due: PT1H }, timeout: { after: "
                     "P1D } }\n"
                     "  - nap: { wait: PT1H }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.timer_at, T0 + 3600000);
    EXPECT(!pw_state_moves(f.state));
    act(&f, PW_EVENT_RESUME, ann);
    EXPECT(pw_state_moves(f.state)); /* its timeout does */
    act(&f, PW_EVENT_RESUME, ann);
    EXPECT(pw_state_moves(f.state));
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    EXPECT(!pw_state_moves(f.state));
    fixture_close(&f);
}

TEST(people, overdue_is_after_what_the_task_says)
{
    fixture f;
    fixture_open(&f,
                 "  - ask: { call: userTask, with: { key: k, due: PT1H, overdueAfter: PT10M } }\n");
    fixture_start(&f, "null");
    fixture_timer(&f, T0 + 3600000);
    EXPECT_INT(f.t.wake_at, T0 + 4200000);
    fixture_close(&f);
}

TEST(people, both_are_told_when_nobody_was_there_meanwhile)
{
    fixture f;
    fixture_open(&f,
                 "  - ask: { call: userTask, with: { key: k, due: '2020-01-01T00:00:00Z' } }\n");
    fixture_start(&f, "null");
    EXPECT_INT(f.t.wake_at, 1577836800000);
    fixture_timer(&f, T0);
    EXPECT_TEXT(fixture_entries(&f), "task.due /do/0/ask; task.overdue /do/0/ask");
    EXPECT_INT(f.t.event_count, 2);
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    fixture_close(&f);
}

TEST(people, a_suspended_task_is_not_told_of_until_it_goes_on)
{
    fixture f;
    fixture_open(&f, "  - ask: { call: userTask, with: { key: k, due: PT1H } }\n");
    fixture_start(&f, "null");
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    fixture_timer(&f, T0 + 3600000);
    EXPECT(!f.t.changed);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_TEXT(fixture_entries(&f), "instance.resumed; task.due /do/0/ask");
    fixture_close(&f);
}

TEST(people, a_task_that_is_answered_or_timed_out_is_not_late)
{
    fixture f;
    fixture_open(
        &f, "  - ask: { call: userTask, with: { key: k, due: PT1H }, timeout: { after: PT2H } }\n");
    fixture_start(&f, "null");
    fixture_timer(&f, T0 + 3600000);
    EXPECT_INT(f.t.wake_at, T0 + 7200000);
    fixture_timer(&f, T0 + 7200000);
    EXPECT_STATUS(f, "faulted");
    EXPECT_INT(f.t.event_count, 1); /* the instance's own */
    EXPECT_INT(f.t.wake_at, PW_WAKE_NEVER);
    fixture_close(&f);
}

TEST(people, what_is_asked_stays_open_beside_a_fault_and_its_answer_is_kept)
{
    fixture f;
    fixture_open(&f, "  - both:\n"
                     "      fork:\n"
                     "        branches:\n"
                     "          - a: { call: userTask, with: { key: k, due: PT1H } }\n"
                     "          - b: { call: work }\n");
    fixture_start(&f, "null");
    act(&f, PW_EVENT_CLAIM, ann);
    fixture_timer(&f, T0 + 3600000);
    fixture_failed(&f, 3, 1, "{\"status\":500}");
    EXPECT_STATUS(f, "faulted");
    EXPECT_INT(f.t.bookmark_end_count, 0);
    fixture_reload(&f);
    fixture_timer(&f, T0 + 90000000); /* overdue: nobody is told while the incident is open */
    EXPECT(!f.t.changed);
    fixture_resume(&f, "k", "{\"n\":1}", "ann");
    EXPECT_STATUS(f, "faulted");
    EXPECT_TEXT(fixture_entries(&f), "bookmark.consumed /do/0/both/fork/branches/0/a; result.kept "
                                     "/do/0/both/fork/branches/0/a");
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_RETRY, "bob", "mended");
    EXPECT_TEXT(fixture_entries(&f), "instance.retried /do/0/both/fork/branches/1/b; task.completed "
                                     "/do/0/both/fork/branches/0/a; task.started "
                                     "/do/0/both/fork/branches/1/b");
    fixture_close(&f);
}

/* ------------------------------------------------------------------ for people */

TEST(people, what_an_instance_waits_for_says_who_has_it)
{
    fixture f;
    fixture_open(
        &f, "  - ask:\n"
            "      call: userTask\n"
            "      with: { key: k, candidates: { users: [ ann ] }, priority: -1, due: PT1H }\n");
    fixture_start(&f, "null");
    claim_until(&f, ann, T0 + 1000);
    delegate(&f, ann, "eve");
    claim_until(&f, eve, T0 + 2000);
    pw_value waits = pw_state_waits(f.state, f.program, &f.arena);
    EXPECT_TEXT(
        fixture_text(&f, pw_json_text(&f.arena, waits, PW_JSON_COMPACT)),
        "[{\"kind\":\"user-action\",\"task\":\"/do/0/ask\",\"name\":\"ask\",\"visit\":1,"
        "\"key\":\"k\",\"assignedTo\":\"eve\",\"candidates\":{\"users\":[\"ann\"]},"
        "\"claimedBy\":\"eve\",\"claimedUntil\":\"2026-09-21T14:13:22.000Z\",\"priority\":-1,"
        "\"since\":\"2026-09-21T14:13:20.000Z\",\"dueAt\":\"2026-09-21T15:13:20.000Z\"}]");
    fixture_close(&f);
}

TEST_MAIN()
