/* resume_handler_test.c - what becomes of an answer: a bookmark is consumed once, in the commit of its effect, by who
 * may, with what fits; every refusal has its reason. */
#include "fixture.h"
#include "store/memory/memory.h"

static const char approval[] = "  - ask: {call: userTask, with: {key: ok, title: Approve}}";
static const char assigned[] = "  - ask: {call: userTask, with: {key: ok, assignedTo: ann}}";
static const char offered[] =
    "  - ask: {call: userTask, with: {key: ok, candidates: {users: [bob], groups: [boss]}}}";
static const char waiting[] = "  - nap: {wait: PT1H}\n  - done: {set: {n: 1}}";
static const char listening[] = "  - hear: {listen: {to: {one: {with: {type: a}}}}}";

static pawl_request by(const char *actor)
{
    return (pawl_request){ .struct_size = sizeof(pawl_request), .actor = actor };
}

/* A person who may do only what is its own. */
static pawl_request person(const char *actor, const char *const *groups, size_t count)
{
    return (pawl_request){ .struct_size = sizeof(pawl_request),
                           .actor = actor,
                           .restricted = 1,
                           .groups = groups,
                           .group_count = count };
}

static pawl_resume_options of(const char *id, const char *key, const char *data)
{
    return (pawl_resume_options){ .struct_size = sizeof(pawl_resume_options), .id = id, .key = key, .data = data };
}

static void expect_done(fixture *f, const pawl_resume_options *options, const pawl_request *request, const char *answer)
{
    char *out = NULL;
    EXPECT_OK(pawl_resume_with(f->p, options, request, &out, &f->err), f->err);
    EXPECT_ASK(out, "[.key, .token, .status, .repeated]", answer);
    pawl_free(out);
}

static void expect_refused(fixture *f, const pawl_resume_options *options, const pawl_request *request, pawl_code code,
                           pawl_reason reason)
{
    char *out = NULL;
    pawl_code got = pawl_resume_with(f->p, options, request, &out, &f->err);
    if (got != code)
        fail_msg("%s: %s, not %s", f->err.message, pawl_code_name(got), pawl_code_name(code));
    EXPECT(out == NULL);
    EXPECT_TEXT(pawl_reason_name(f->err.reason), pawl_reason_name(reason));
    EXPECT(f->err.message[0] != '\0');
}

/* The key of what the instance waits for first. */
static void first_key(fixture *f, const char *id, char out[256])
{
    char *text = NULL;
    const pawl_bookmarks_options options = { .struct_size = sizeof options, .instance = id };
    EXPECT_OK(pawl_bookmarks(f->p, &options, &text, &f->err), f->err);
    (void)snprintf(out, 256, "%s", ask(text, ".bookmarks[0].key"));
    pawl_free(text);
    size_t length = strlen(out);
    EXPECT(length > 2 && out[0] == '"');
    memmove(out, out + 1, length - 2);
    out[length - 2] = '\0';
}

static void expect_token(fixture *f, const char *id, const char *token)
{
    char *text = NULL;
    EXPECT_OK(pawl_head(f->p, id, &text, &f->err), f->err);
    EXPECT_ASK(text, ".token", token);
    pawl_free(text);
}

/* ------------------------------------------------------------------ kinds */

TEST(resume_handler, a_user_action_takes_its_answer)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    char *id = start(&f, "ask", NULL);
    const pawl_request ann = by("ann");
    pawl_resume_options options = of(id, "ok", "{\"yes\":true}");
    options.kind = "user-action";
    options.task = "/do/0/ask";
    expect_done(&f, &options, &ann, "[\"ok\",2,\"completed\",false]");
    char *text = finish(&f, id), *log = steps(&f, id), *mark = NULL;
    EXPECT_ASK(text, "[.output.yes, .output.completedBy]", "[true,\"ann\"]");
    EXPECT_ASK(log, "[.steps[1] | .event, .actor]", "[\"resume\",\"ann\"]");
    EXPECT_OK(pawl_bookmark(f.p, id, "ok", &mark, &f.err), f.err);
    EXPECT_ASK(mark, "[.kind, .open, .consumed, .endedBy, .token]", "[\"user-action\",false,true,\"ann\",2]");
    pawl_free(mark);
    pawl_free(log);
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

TEST(resume_handler, a_timer_is_over_before_its_time)
{
    fixture f;
    char key[256];
    fixture_init(&f, "memory:");
    fixture_clock(&f, 1000000);
    fixture_open(&f);
    deploy(&f, "nap", waiting);
    char *id = start(&f, "nap", NULL);
    first_key(&f, id, key);
    pawl_resume_options options = of(id, key, "1");
    options.kind = "timer";
    expect_refused(&f, &options, NULL, PAWL_INVALID, PAWL_REASON_BAD_ANSWER); /* a timer takes no data */
    options.data = NULL;
    char *out = NULL;
    EXPECT_OK(pawl_resume_with(f.p, &options, NULL, &out, &f.err), f.err);
    EXPECT_ASK(out, "[.status, .token]", "[\"completed\",2]");
    fixture_clock(&f, 1000000 + 3600000); /* its own time changes nothing any more */
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    expect_token(&f, id, "2");
    pawl_free(out);
    pawl_free(id);
    fixture_done(&f);
}

TEST(resume_handler, a_listen_takes_an_event_that_comes_to_it_alone)
{
    fixture f;
    char key[256];
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "hear", listening);
    char *id = start(&f, "hear", NULL), *other = start(&f, "hear", NULL);
    first_key(&f, id, key);
    pawl_resume_options options = of(id, key, "{\"n\":1}");
    options.kind = "external-message";
    expect_refused(&f, &options, NULL, PAWL_INVALID, PAWL_REASON_BAD_ANSWER); /* no CloudEvent */
    options.data = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"b\",\"data\":{\"n\":1}}";
    expect_refused(&f, &options, NULL, PAWL_INVALID, PAWL_REASON_BAD_ANSWER); /* of another type */
    options.data = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"a\",\"data\":{\"n\":1}}";
    EXPECT_OK(pawl_resume_with(f.p, &options, NULL, NULL, &f.err), f.err);
    char *text = finish(&f, id), *still = show(&f, other);
    EXPECT_ASK(text, "[.status, .output[0].n]", "[\"completed\",1]");
    EXPECT_ASK(still, ".status", "\"waiting\"");
    pawl_free(still);
    pawl_free(text);
    pawl_free(other);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ refusals */

TEST(resume_handler, every_wrong_task_kind_and_key_has_its_reason_and_changes_nothing)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    char *id = start(&f, "ask", NULL);
    pawl_resume_options options = of(id, "ok", NULL);
    options.task = "/do/1/other";
    expect_refused(&f, &options, NULL, PAWL_CONFLICT, PAWL_REASON_WRONG_TASK);
    options = of(id, "ok", NULL);
    options.kind = "timer";
    expect_refused(&f, &options, NULL, PAWL_CONFLICT, PAWL_REASON_WRONG_KIND);
    options.kind = "nothing";
    expect_refused(&f, &options, NULL, PAWL_INVALID, PAWL_REASON_NONE);
    options = of(id, "no", NULL);
    expect_refused(&f, &options, NULL, PAWL_NOT_FOUND, PAWL_REASON_NO_BOOKMARK);
    options = of("00000000000000000000000000", "ok", NULL);
    expect_refused(&f, &options, NULL, PAWL_NOT_FOUND, PAWL_REASON_NO_INSTANCE);
    options = of("x", "ok", NULL);
    expect_refused(&f, &options, NULL, PAWL_NOT_FOUND, PAWL_REASON_NO_INSTANCE);
    options = of(id, "", NULL);
    expect_refused(&f, &options, NULL, PAWL_INVALID, PAWL_REASON_NONE);
    options = of(id, "ok", "{");
    expect_refused(&f, &options, NULL, PAWL_INVALID, PAWL_REASON_NONE);
    options.struct_size = 0;
    expect_refused(&f, &options, NULL, PAWL_INVALID, PAWL_REASON_NONE);
    expect_token(&f, id, "1");
    pawl_free(id);
    fixture_done(&f);
}

TEST(resume_handler, the_same_answer_again_is_a_success_and_another_is_a_conflict)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "two", "  - ask: {call: userTask, with: {key: ok}}\n  - more: {call: userTask, with: {key: two}}");
    char *id = start(&f, "two", NULL);
    pawl_resume_options options = of(id, "ok", "{\"n\":1}");
    expect_done(&f, &options, NULL, "[\"ok\",2,\"waiting\",false]");
    options.data = "{ \"n\": 1.0 }";
    expect_done(&f, &options, NULL, "[\"ok\",2,\"waiting\",true]");
    options.data = "{\"n\":2}";
    expect_refused(&f, &options, NULL, PAWL_CONFLICT, PAWL_REASON_ANSWERED);
    options.data = "{\"n\":1}";
    options.task = "/do/1/more";
    expect_refused(&f, &options, NULL, PAWL_CONFLICT, PAWL_REASON_WRONG_TASK);
    options.task = NULL;
    options.kind = "timer";
    expect_refused(&f, &options, NULL, PAWL_CONFLICT, PAWL_REASON_WRONG_KIND);
    expect_token(&f, id, "2");
    pawl_free(id);
    fixture_done(&f);
}

TEST(resume_handler, one_whose_time_was_up_is_closed)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_clock(&f, 1000000);
    fixture_open(&f);
    deploy(&f, "late",
           "  - outer:\n      try:\n        - ask: {call: userTask, with: {key: ok}, timeout: {after: PT10S}}\n"
           "      catch: {}\n  - more: {call: userTask, with: {key: two}}");
    char *id = start(&f, "late", NULL);
    fixture_clock(&f, 1010000);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    pawl_resume_options options = of(id, "ok", NULL);
    expect_refused(&f, &options, NULL, PAWL_STATE, PAWL_REASON_EXPIRED);
    expect_token(&f, id, "2");
    pawl_free(id);
    fixture_done(&f);
}

TEST(resume_handler, an_instance_that_has_ended_takes_no_answer)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    char *id = start(&f, "ask", NULL), *other = start(&f, "ask", NULL);
    EXPECT_OK(pawl_cancel(f.p, id, NULL, NULL, &f.err), f.err);
    pawl_resume_options options = of(id, "ok", NULL);
    expect_refused(&f, &options, NULL, PAWL_STATE, PAWL_REASON_ENDED);
    options = of(id, "none", NULL);
    expect_refused(&f, &options, NULL, PAWL_STATE, PAWL_REASON_ENDED);
    options = of(other, "ok", "1");
    expect_done(&f, &options, NULL, "[\"ok\",2,\"completed\",false]");
    expect_done(&f, &options, NULL, "[\"ok\",2,\"completed\",true]"); /* a repeat is one, whatever came since */
    pawl_free(other);
    pawl_free(id);
    fixture_done(&f);
}

TEST(resume_handler, an_answer_that_its_form_refuses_consumes_nothing)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "form",
           "  - ask: {call: userTask, with: {key: ok, form: {schema: {type: object, required: [amount], "
           "properties: {amount: {type: integer}}}}}}");
    char *id = start(&f, "form", NULL);
    pawl_resume_options options = of(id, "ok", "{\"amount\":\"much\"}");
    expect_refused(&f, &options, NULL, PAWL_INVALID, PAWL_REASON_BAD_ANSWER);
    EXPECT_CONTAINS(f.err.message, "amount");
    options.data = NULL;
    expect_refused(&f, &options, NULL, PAWL_INVALID, PAWL_REASON_BAD_ANSWER);
    expect_token(&f, id, "1");
    options.data = "{\"amount\":3}";
    expect_done(&f, &options, NULL, "[\"ok\",2,\"completed\",false]");
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ people */

TEST(resume_handler, only_who_it_is_for_may_answer_but_an_operator_always)
{
    static const char *const boss[] = { "staff", "boss" };
    static const char *const staff[] = { "staff" };
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "anns", assigned);
    deploy(&f, "offered", offered);
    deploy(&f, "anybody", approval);
    const pawl_request ann = person("ann", NULL, 0), bob = person("bob", NULL, 0), carl = person("carl", staff, 1),
                       chief = person("dora", boss, 2), operator = by("eve");
    char *id = start(&f, "anns", NULL);
    pawl_resume_options options = of(id, "ok", "1");
    expect_refused(&f, &options, &bob, PAWL_DENIED, PAWL_REASON_NOT_YOURS);
    expect_refused(&f, &options, &chief, PAWL_DENIED, PAWL_REASON_NOT_YOURS);
    expect_done(&f, &options, &ann, "[\"ok\",2,\"completed\",false]");
    pawl_free(id);
    id = start(&f, "anns", NULL);
    options = of(id, "ok", "1");
    expect_done(&f, &options, &operator, "[\"ok\",2,\"completed\",false]");
    pawl_free(id);
    id = start(&f, "offered", NULL);
    options = of(id, "ok", "1");
    expect_refused(&f, &options, &ann, PAWL_DENIED, PAWL_REASON_NOT_YOURS);
    expect_refused(&f, &options, &carl, PAWL_DENIED, PAWL_REASON_NOT_YOURS);
    expect_done(&f, &options, &bob, "[\"ok\",2,\"completed\",false]");
    pawl_free(id);
    id = start(&f, "offered", NULL);
    options = of(id, "ok", "1");
    expect_done(&f, &options, &chief, "[\"ok\",2,\"completed\",false]");
    pawl_free(id);
    id = start(&f, "anybody", NULL);
    options = of(id, "ok", "1");
    expect_done(&f, &options, &carl, "[\"ok\",2,\"completed\",false]");
    pawl_free(id);
    fixture_done(&f);
}

static void change(fixture *f, const char *id, pawl_bookmark_action action, const pawl_request *request,
                   uint64_t lease_ms, const char *expression, const char *expected)
{
    const pawl_bookmark_options options = { .struct_size = sizeof options,
                                            .id = id,
                                            .key = "ok",
                                            .action = action,
                                            .lease_ms = lease_ms,
                                            .to = "carl",
                                            .text = "looks good" };
    char *out = NULL;
    EXPECT_OK(pawl_bookmark_change(f->p, &options, request, &out, &f->err), f->err);
    EXPECT_ASK(out, expression, expected);
    pawl_free(out);
}

TEST(resume_handler, a_claim_keeps_others_out_until_it_is_over)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_clock(&f, 1000000);
    fixture_open(&f);
    deploy(&f, "anybody", approval);
    const pawl_request ann = person("ann", NULL, 0), bob = person("bob", NULL, 0), operator = by("eve");
    char *id = start(&f, "anybody", NULL), *other = start(&f, "anybody", NULL);
    change(&f, id, PAWL_BOOKMARK_CLAIM, &ann, 60000, "[.claimedBy, .claimedUntil, .token]",
           "[\"ann\",\"1970-01-01T00:17:40.000Z\",2]");
    const pawl_bookmark_options claim = { .struct_size = sizeof claim, .id = id, .key = "ok" };
    EXPECT_INT(pawl_bookmark_change(f.p, &claim, &bob, NULL, &f.err), PAWL_CONFLICT);
    EXPECT_INT(f.err.reason, PAWL_REASON_CLAIMED);
    pawl_resume_options options = of(id, "ok", "1");
    expect_refused(&f, &options, &bob, PAWL_CONFLICT, PAWL_REASON_CLAIMED);
    fixture_clock(&f, 1060000); /* the claim is over */
    char *mark = NULL;
    EXPECT_OK(pawl_bookmark(f.p, id, "ok", &mark, &f.err), f.err);
    EXPECT_ASK(mark, "has(\"claimedBy\")", "false");
    pawl_free(mark);
    expect_done(&f, &options, &bob, "[\"ok\",3,\"completed\",false]");
    change(&f, other, PAWL_BOOKMARK_CLAIM, &ann, 0, "[.claimedBy, has(\"claimedUntil\")]", "[\"ann\",false]");
    change(&f, other, PAWL_BOOKMARK_RELEASE, &ann, 0, "has(\"claimedBy\")", "false");
    change(&f, other, PAWL_BOOKMARK_CLAIM, &ann, 0, ".claimedBy", "\"ann\"");
    options = of(other, "ok", "1");
    expect_refused(&f, &options, &bob, PAWL_CONFLICT, PAWL_REASON_CLAIMED);
    expect_done(&f, &options, &operator, "[\"ok\",5,\"completed\",false]");
    pawl_free(other);
    pawl_free(id);
    fixture_done(&f);
}

TEST(resume_handler, a_task_is_delegated_and_commented_in_the_log)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "anns", assigned);
    const pawl_request ann = person("ann", NULL, 0), carl = person("carl", NULL, 0);
    char *id = start(&f, "anns", NULL);
    change(&f, id, PAWL_BOOKMARK_COMMENT, &ann, 0, ".assignedTo", "\"ann\"");
    change(&f, id, PAWL_BOOKMARK_DELEGATE, &ann, 0, ".assignedTo", "\"carl\"");
    pawl_resume_options options = of(id, "ok", "1");
    expect_refused(&f, &options, &ann, PAWL_DENIED, PAWL_REASON_NOT_YOURS);
    expect_done(&f, &options, &carl, "[\"ok\",4,\"completed\",false]");
    char *log = steps(&f, id);
    EXPECT_ASK(log, "[.steps[1:3][] | .actor, .event, .entries[0].type]",
               "[\"ann\",\"comment\",\"bookmark.commented\",\"ann\",\"delegate\",\"bookmark.delegated\"]");
    EXPECT_ASK(log, ".steps[1].entries[0].text", "\"looks good\"");
    pawl_free(log);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ once, and in order */

TEST(resume_handler, a_stale_token_is_refused_and_a_fresh_one_not)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    char *id = start(&f, "ask", NULL), *out = NULL;
    pawl_request request = by("ann");
    request.if_token = 1;
    EXPECT_OK(pawl_change_with(f.p, id, PAWL_SUSPEND, "wait", &request, &out, &f.err), f.err);
    EXPECT_ASK(out, "[.token, .status, .repeated]", "[2,\"suspended\",false]");
    pawl_free(out);
    pawl_resume_options options = of(id, "ok", "1");
    expect_refused(&f, &options, &request, PAWL_CONFLICT, PAWL_REASON_STALE_TOKEN);
    EXPECT_CONTAINS(f.err.message, "has the token 2 by now, not 1");
    EXPECT_INT(pawl_change_with(f.p, id, PAWL_CANCEL, NULL, &request, NULL, &f.err), PAWL_CONFLICT);
    EXPECT_INT(f.err.reason, PAWL_REASON_STALE_TOKEN);
    expect_token(&f, id, "2");
    request.if_token = 2;
    EXPECT_OK(pawl_change_with(f.p, id, PAWL_CONTINUE, NULL, &request, NULL, &f.err), f.err);
    request.if_token = 3;
    expect_done(&f, &options, &request, "[\"ok\",4,\"completed\",false]");
    pawl_free(id);
    fixture_done(&f);
}

TEST(resume_handler, a_request_that_comes_again_hears_its_first_answer)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "two", "  - ask: {call: userTask, with: {key: ok}}\n  - more: {call: userTask, with: {key: two}}");
    char *id = start(&f, "two", NULL);
    pawl_request request = by("ann"), other = by("bob");
    request.idempotency_key = other.idempotency_key = "r1";
    request.if_token = 1; /* a repeat has the token of the first try */
    pawl_resume_options first = of(id, "ok", "{\"n\":1}"), second = of(id, "two", "2");
    expect_done(&f, &first, &request, "[\"ok\",2,\"waiting\",false]");
    expect_done(&f, &first, &request, "[\"ok\",2,\"waiting\",false]");
    expect_refused(&f, &second, &request, PAWL_CONFLICT, PAWL_REASON_REQUEST_REUSED);
    expect_refused(&f, &first, &other, PAWL_CONFLICT, PAWL_REASON_REQUEST_REUSED);
    EXPECT_INT(pawl_change_with(f.p, id, PAWL_CANCEL, NULL, &request, NULL, &f.err), PAWL_CONFLICT);
    EXPECT_INT(f.err.reason, PAWL_REASON_REQUEST_REUSED);
    EXPECT_OK(pawl_resume_with(f.p, &second, NULL, NULL, &f.err), f.err);
    expect_done(&f, &first, &request, "[\"ok\",2,\"waiting\",false]"); /* although it has ended since */
    fixture_close(&f);
    fixture_open(&f);
    expect_done(&f, &first, &request, "[\"ok\",2,\"waiting\",false]");
    expect_token(&f, id, "3");
    pawl_free(id);
    fixture_done(&f);
}

TEST(resume_handler, what_was_refused_is_not_remembered_and_may_be_asked_again)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    char *id = start(&f, "ask", NULL);
    pawl_request request = by("ann");
    request.idempotency_key = "r1";
    pawl_resume_options wrong = of(id, "no", "1"), right = of(id, "ok", "1");
    expect_refused(&f, &wrong, &request, PAWL_NOT_FOUND, PAWL_REASON_NO_BOOKMARK);
    expect_done(&f, &right, &request, "[\"ok\",2,\"completed\",false]");
    expect_refused(&f, &wrong, &request, PAWL_CONFLICT, PAWL_REASON_REQUEST_REUSED);
    pawl_free(id);
    fixture_done(&f);
}

typedef struct racing {
    fixture *f;
    const char *id;
    bool same; /* all with one answer and one idempotency key */
    pawl_code codes[16];
    pawl_reason reasons[16];
    char answers[16][128];
} racing;

static void race(void *context, unsigned number)
{
    racing *r = context;
    char data[16], *out = NULL;
    pawl_error err = { .code = PAWL_OK };
    pawl_request request = by("ann");
    (void)snprintf(data, sizeof data, "%u", r->same ? 0 : number);
    request.idempotency_key = r->same ? "r1" : NULL;
    pawl_resume_options options = of(r->id, "ok", data);
    r->codes[number] = pawl_resume_with(r->f->p, &options, &request, &out, &err);
    r->reasons[number] = err.reason;
    (void)snprintf(r->answers[number], sizeof r->answers[number], "%s", out ? out : "");
    pawl_free(out);
}

TEST(resume_handler, of_many_answers_at_once_exactly_one_wins)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "ask", approval);
    char *id = start(&f, "ask", NULL);
    racing r = { .f = &f, .id = id };
    crew_run(16, race, &r);
    unsigned won = 0, number = 0;
    for (unsigned i = 0; i < 16; i++) {
        if (r.codes[i] == PAWL_OK) {
            won++;
            number = i;
            continue;
        }
        EXPECT_INT(r.codes[i], PAWL_CONFLICT);
        EXPECT_INT(r.reasons[i], PAWL_REASON_ANSWERED);
    }
    EXPECT_INT(won, 1);
    char *text = finish(&f, id), expected[16];
    (void)snprintf(expected, sizeof expected, "%u", number);
    EXPECT_ASK(text, ".output.value", expected);
    EXPECT_ASK(text, ".token", "2");
    pawl_free(text);
    pawl_free(id);
    fixture_done(&f);
}

TEST(resume_handler, one_request_sent_many_times_at_once_has_one_effect_and_one_answer)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "ask", approval);
    char *id = start(&f, "ask", NULL);
    racing r = { .f = &f, .id = id, .same = true };
    crew_run(16, race, &r);
    for (unsigned i = 0; i < 16; i++) {
        EXPECT_INT(r.codes[i], PAWL_OK);
        EXPECT_TEXT(r.answers[i], r.answers[0]);
    }
    EXPECT_ASK(r.answers[0], "[.token, .status, .repeated]", "[2,\"completed\",false]");
    expect_token(&f, id, "2");
    pawl_free(id);
    fixture_done(&f);
}

TEST(resume_handler, an_answer_is_whole_or_not_there_when_the_store_fails)
{
    static const bool applied[] = { false, true };
    for (size_t i = 0; i < PW_LENGTH(applied); i++) {
        fixture f;
        fixture_init(&f, "memory:");
        fixture_open(&f);
        deploy(&f, "ask", approval);
        char *id = start(&f, "ask", NULL);
        pawl_request request = by("ann");
        request.idempotency_key = "r1";
        pawl_resume_options options = of(id, "ok", "1");
        pw_memory_fail_commit(f.p->store, 1, applied[i]);
        expect_done(&f, &options, &request, "[\"ok\",2,\"completed\",false]");
        expect_done(&f, &options, &request, "[\"ok\",2,\"completed\",false]");
        expect_token(&f, id, "2");
        pawl_free(id);
        fixture_done(&f);
    }
}

TEST(resume_handler, an_effect_that_fails_faults_the_instance_with_the_answer_in_its_log)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "bad", "  - ask: {call: userTask, with: {key: ok}}\n  - no: {set: {n: '${ .a.b.c | error }'}}");
    char *id = start(&f, "bad", NULL);
    const pawl_request ann = by("ann");
    pawl_resume_options options = of(id, "ok", "{\"a\":1}");
    expect_done(&f, &options, &ann, "[\"ok\",2,\"faulted\",false]");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_fault_row *faults = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_faults(f.p->store, pw_str_of(id), &faults, &count, &arena, &f.err), f.err);
    EXPECT_INT(count, 1);
    EXPECT_STR(faults[0].fault.kind, "activity-fault");
    pw_arena_done(&arena);
    char *log = steps(&f, id);
    EXPECT_ASK(log, "[.steps[1].entries[] | select(.type == \"bookmark.consumed\") | .by, .data.a]", "[\"ann\",1]");
    pawl_free(log);
    pawl_free(id);
    fixture_done(&f);
}

TEST(resume_handler, a_step_has_the_correlation_of_its_request)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    char *id = start(&f, "ask", NULL);
    pawl_request request = by("ann");
    request.correlation = "call-9";
    pawl_resume_options options = of(id, "ok", "1");
    expect_done(&f, &options, &request, "[\"ok\",2,\"completed\",false]");
    char *log = steps(&f, id), own[64];
    (void)snprintf(own, sizeof own, "[\"%s\",\"call-9\"]", id);
    EXPECT_ASK(log, "[.steps[].correlation]", own);
    pawl_free(log);
    pawl_free(id);
    fixture_done(&f);
}

TEST_MAIN()
