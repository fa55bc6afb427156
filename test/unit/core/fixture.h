/* fixture.h - one instance driven by hand: each event is one step, and what it decided is looked at
 * as text. */
#ifndef PW_TEST_CORE_FIXTURE_H
#define PW_TEST_CORE_FIXTURE_H

#include "test.h"
#include "branch_rows.h"
#include "base/json.h"
#include "core/core.h"
#include "lang/lang.h"

#define T0 1790000000000ll /* 2026-09-21T14:13:20.000Z */

typedef struct fixture {
    pw_program *program;
    pw_expr_machine *machine;
    pw_arena arena; /* state and transitions */
    pw_state *state;
    pw_identity identity;
    pw_core_settings settings;
    pw_fault_policy faults; /* the default, but that nothing is tried again */
    pw_transition t; /* of the last step */
    pw_payload_list payloads; /* of all steps, each as often as it was put out */
    branch_rows branches;     /* as they are stored now */
    int64_t now_ms;
    uint64_t steps;
    pw_arena kept;     /* of these: the log as it is stored, the state behind each of its steps */
    pw_past_step *log;
    pw_str *states;
    const pw_state *given; /* by the last step */
    unsigned went_back; /* states that it was sent back to from its end */
    bool apart; /* its state does not come from its log alone: the test has put another in its place */
} fixture;

/* `tasks` is the YAML under `do:`, each line indented by two more than here; or a whole document
 * that begins with "document:". */
void fixture_open(fixture *f, const char *tasks);
/* Replays the log: it must give the same states. */
void fixture_close(fixture *f);
void fixture_replay(fixture *f);
/* So many retries of activities and of calls, each after its whole delay: 1 s, 2 s ... and 5 s, 10 s ... */
void fixture_retries(fixture *f, uint32_t count);
/* Each takes the transition as committed; fails the test if the step itself fails. */
void fixture_start(fixture *f, const char *input);
void fixture_event(fixture *f, const pw_event *event);
void fixture_timer(fixture *f, int64_t at_ms);
/* Of the first attempt; status 0: `body` says why there is none. */
void fixture_answer(fixture *f, uint64_t visit, int status, const char *type, const char *body);
void fixture_called(fixture *f, uint64_t visit, uint32_t attempt, pw_call_result result);
void fixture_result(fixture *f, uint64_t visit, uint32_t attempt, const char *json);
void fixture_failed(fixture *f, uint64_t visit, uint32_t attempt, const char *error);
/* A CloudEvent for the listen of `visit`. */
void fixture_message(fixture *f, uint64_t visit, uint64_t number, const char *event);
void fixture_lost(fixture *f, uint64_t visit, uint32_t attempt);
void fixture_resume(fixture *f, const char *key, const char *data, const char *actor);
void fixture_command(fixture *f, pw_event_kind kind, const char *actor, const char *reason);
void fixture_drive(fixture *f);
/* Stores the state as text and reads it back: what a restart does. */
void fixture_reload(fixture *f);
/* The payloads, as a store gives them. */
pw_payload_source fixture_source(fixture *f);
/* NUL-terminated, in the arena. */
const char *fixture_text(fixture *f, pw_str s);
/* The types of the last step's entries and their tasks: "task.completed /do/0/a; ..." */
const char *fixture_entries(fixture *f);
/* The lifecycle events of the last step: "workflow.started; task.created /do/0/a 1; ...", where the
 * number is the visit; others by their type. Their ids must be those of the step, in order. */
const char *fixture_events(fixture *f);
pw_value fixture_entry(fixture *f, size_t at);
const char *fixture_entry_text(fixture *f, size_t at);
const char *fixture_member(fixture *f, const char *json, const char *member);
/* What the last step came to, as one text; tasks by the last part of their pointers:
 *   STATUS: ENTRIES | WAITS WORK -> OUTPUT   what was decided, and the input of the work that begins
 *   CODE/REASON: MESSAGE                     it was refused, and nothing has changed
 *   same: MESSAGE                            it was so before */
const char *fixture_outcome(fixture *f);

#define EXPECT_STATUS(f, status_) EXPECT_TEXT(pw_status_name((f).t.status), status_)
#define EXPECT_OUTPUT(f, json_) EXPECT_TEXT(fixture_text(&(f), (f).t.output), json_)
#endif
