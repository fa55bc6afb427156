/* command_test.c - commands as JSON: which there are, who may ask for them, what they know and what they answer. */
#include "../engine/fixture.h"
#include "server/server.h"

typedef struct asked {
    fixture f;
    char id[64];
} asked;

static void asked_init(asked *a)
{
    fixture_init(&a->f, "memory:");
    fixture_open(&a->f);
    deploy(&a->f, "ask", "  - ask: {call: userTask, with: {key: ok, title: Approve, candidates: {groups: [boss]}}}");
    deploy(&a->f, "quick", "  - done: {set: {n: 1}}");
    char *id = start(&a->f, "ask", NULL);
    (void)snprintf(a->id, sizeof a->id, "%s", id);
    pawl_free(id);
}

/* The answer of a command, in which $ID stands for the instance; to pawl_free(). */
static char *run(asked *a, const char *request)
{
    char text[4096], *answer = NULL;
    const char *at = strstr(request, "$ID");
    if (at)
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - request), request, a->id, at + 3);
    else
        (void)snprintf(text, sizeof text, "%s", request);
    EXPECT_OK(pawl_command(a->f.p, text, &answer, &a->f.err), a->f.err);
    return answer;
}

static void expect(asked *a, const char *request, const char *expression, const char *expected)
{
    char *answer = run(a, request);
    EXPECT_ASK(answer, expression, expected);
    pawl_free(answer);
}

static void expect_error(asked *a, const char *request, const char *code, const char *says)
{
    char *answer = run(a, request), quoted[64];
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", code);
    EXPECT_ASK(answer, ".error.reason // .error.code", quoted);
    EXPECT_CONTAINS(answer, says);
    pawl_free(answer);
}

TEST(command, every_one_says_who_may_ask_for_it_and_where)
{
    static const struct {
        const char *name;
        pw_role role;
        pw_scope scope;
        bool own, changes;
    } table[] = {
        { "ping", PW_ROLE_ANY, PW_SCOPE_NONE, false, false },
        { "validate", PW_ROLE_ANY, PW_SCOPE_NONE, false, false },
        { "state", PW_ROLE_VIEWER, PW_SCOPE_LIST, false, false },
        { "graph", PW_ROLE_VIEWER, PW_SCOPE_DEFINITION, false, false },
        { "definition", PW_ROLE_VIEWER, PW_SCOPE_DEFINITION, false, false },
        { "definitions", PW_ROLE_VIEWER, PW_SCOPE_LIST, false, false },
        { "deploy", PW_ROLE_OPERATOR, PW_SCOPE_LIST, false, true },
        { "status", PW_ROLE_OPERATOR, PW_SCOPE_DEFINITION, false, true },
        { "start", PW_ROLE_STARTER, PW_SCOPE_DEFINITION, false, true },
        { "resume", PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, false, true },
        { "cancel", PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, false, true },
        { "suspend", PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, false, true },
        { "continue", PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, false, true },
        { "retry", PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, false, true },
        { "skip", PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, false, true },
        { "goto", PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, false, true },
        { "edit", PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, false, true },
        { "compensate", PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, false, true },
        { "rewind", PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, false, true },
        { "fork", PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, false, true },
        { "compensation", PW_ROLE_VIEWER, PW_SCOPE_INSTANCE, false, false },
        { "effects", PW_ROLE_VIEWER, PW_SCOPE_INSTANCE, false, false },
        { "fail", PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, false, true },
        { "delete", PW_ROLE_ADMIN, PW_SCOPE_INSTANCE, false, true },
        { "incidents", PW_ROLE_VIEWER, PW_SCOPE_LIST, false, false },
        { "incident", PW_ROLE_VIEWER, PW_SCOPE_INSTANCE, false, false },
        { "calls", PW_ROLE_VIEWER, PW_SCOPE_INSTANCE, false, false },
        { "breakers", PW_ROLE_VIEWER, PW_SCOPE_STORE, false, false },
        { "letters", PW_ROLE_VIEWER, PW_SCOPE_LIST, false, false },
        { "letter", PW_ROLE_VIEWER, PW_SCOPE_LIST, false, false },
        { "letter-requeue", PW_ROLE_OPERATOR, PW_SCOPE_LIST, false, true },
        { "letter-discard", PW_ROLE_OPERATOR, PW_SCOPE_LIST, false, true },
        { "sinks", PW_ROLE_VIEWER, PW_SCOPE_STORE, false, false },
        { "breaker", PW_ROLE_OPERATOR, PW_SCOPE_STORE, false, true },
        { "bulk-start", PW_ROLE_OPERATOR, PW_SCOPE_LIST, false, true },
        { "bulk", PW_ROLE_VIEWER, PW_SCOPE_LIST, false, false },
        { "bulks", PW_ROLE_VIEWER, PW_SCOPE_LIST, false, false },
        { "bulk-stop", PW_ROLE_OPERATOR, PW_SCOPE_LIST, false, true },
        { "bulk-continue", PW_ROLE_OPERATOR, PW_SCOPE_LIST, false, true },
        { "wait", PW_ROLE_VIEWER, PW_SCOPE_INSTANCE, false, false },
        { "show", PW_ROLE_VIEWER, PW_SCOPE_INSTANCE, false, false },
        { "why", PW_ROLE_VIEWER, PW_SCOPE_INSTANCE, false, false },
        { "head", PW_ROLE_VIEWER, PW_SCOPE_INSTANCE, false, false },
        { "output", PW_ROLE_VIEWER, PW_SCOPE_INSTANCE, false, false },
        { "log", PW_ROLE_VIEWER, PW_SCOPE_INSTANCE, false, false },
        { "list", PW_ROLE_VIEWER, PW_SCOPE_LIST, false, false },
        { "count", PW_ROLE_VIEWER, PW_SCOPE_LIST, false, false },
        { "schedules", PW_ROLE_VIEWER, PW_SCOPE_LIST, false, false },
        { "bookmarks", PW_ROLE_VIEWER, PW_SCOPE_LIST, false, false },
        { "bookmark", PW_ROLE_VIEWER, PW_SCOPE_INSTANCE, true, false },
        { "tasks", PW_ROLE_VIEWER, PW_SCOPE_LIST, true, false },
        { "complete", PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, true, true },
        { "claim", PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, true, true },
        { "release", PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, true, true },
        { "delegate", PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, true, true },
        { "comment", PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, true, true },
        { "components", PW_ROLE_VIEWER, PW_SCOPE_STORE, false, false },
        { "audit", PW_ROLE_VIEWER, PW_SCOPE_STORE, false, false },
        { "metrics", PW_ROLE_VIEWER, PW_SCOPE_STORE, false, false },
        { "log-level", PW_ROLE_ADMIN, PW_SCOPE_STORE, false, false },
        { "cleanup", PW_ROLE_ADMIN, PW_SCOPE_STORE, false, true },
        { "publish", PW_ROLE_STARTER, PW_SCOPE_STORE, false, true },
        { "poll", PW_ROLE_WORKER, PW_SCOPE_LIST, false, true },
        { "complete-job", PW_ROLE_WORKER, PW_SCOPE_JOB, false, true },
        { "fail-job", PW_ROLE_WORKER, PW_SCOPE_JOB, false, true },
        { "heartbeat-job", PW_ROLE_WORKER, PW_SCOPE_JOB, false, false },
        { "jobs", PW_ROLE_VIEWER, PW_SCOPE_LIST, false, false },
        { "job-limit", PW_ROLE_OPERATOR, PW_SCOPE_STORE, false, false },
        { "tokens", PW_ROLE_ADMIN, PW_SCOPE_STORE, false, false },
        { "token-create", PW_ROLE_ADMIN, PW_SCOPE_STORE, false, true },
        { "token-revoke", PW_ROLE_ADMIN, PW_SCOPE_STORE, false, true },
    };
    size_t count = 0;
    while (pw_command_at(count))
        count++;
    EXPECT_INT(count, PW_LENGTH(table));
    for (size_t i = 0; i < PW_LENGTH(table); i++) {
        const pw_command_about *about = pw_command_find(pw_str_of(table[i].name));
        if (!about)
            fail_msg("no command '%s'", table[i].name);
        EXPECT_INT(about->role, table[i].role);
        EXPECT_INT(about->scope, table[i].scope);
        EXPECT_INT(about->own, table[i].own);
        EXPECT_INT(about->changes, table[i].changes);
    }
    EXPECT(pw_command_find(PW_LIT("pin")) == NULL);
    EXPECT(pw_command_find(PW_LIT("")) == NULL);
    EXPECT(pw_command_request_member(PW_LIT("idempotencyKey")));
    EXPECT(!pw_command_request_member(PW_LIT("id")));
}

TEST(command, a_member_of_the_wrong_type_or_name_is_refused)
{
    asked a;
    asked_init(&a);
    static const struct {
        const char *request, *says;
    } cases[] = {
        { "{\"command\":\"list\",\"nmae\":\"x\"}", "'list' knows no member 'nmae'" },
        { "{\"command\":\"start\",\"name\":1}", "'name' must be a string, not number" },
        { "{\"command\":\"start\",\"name\":\"a\\u0000b\"}", "NUL" },
        { "{\"command\":\"start\",\"name\":\"ask\",\"labels\":[]}", "'labels' must be an object, not array" },
        { "{\"command\":\"start\",\"name\":\"ask\",\"startAt\":\"soon\"}", "'startAt'" },
        { "{\"command\":\"list\",\"namespaces\":{}}", "'namespaces' must be an array, not object" },
        { "{\"command\":\"list\",\"schedules\":1}", "'schedules' must be true or false, not number" },
        { "{\"command\":\"list\",\"limit\":-1}", "'limit' must be a whole number from 0 to 1000" },
        { "{\"command\":\"list\",\"limit\":1.5}", "'limit' must be a whole number" },
        { "{\"command\":\"ping\",\"groups\":\"boss\"}", "'groups' must be an array of strings, not string" },
        { "{\"command\":\"ping\",\"groups\":[\"boss\",1]}", "item 2 is number" },
        { "{\"command\":\"ping\",\"ifToken\":\"1\"}", "'ifToken' must be a whole number" },
        { "{\"command\":\"ping\",\"restricted\":\"yes\"}", "'restricted' must be true or false" },
        { "{\"command\":\"cancel\"}", "'id' is missing" },
        { "{\"command\":\"bulk-start\"}", "'action' is missing" },
        { "{\"command\":\"bulk-start\",\"action\":\"melt\"}", "not 'melt'" },
        { "{\"command\":\"bulk-start\",\"action\":\"fail\",\"labels\":[]}", "'labels' must be an object, not array" },
        { "{\"command\":\"bulk-start\",\"action\":\"fail\",\"olderMs\":-1}", "'olderMs' must be a whole number" },
        { "{\"command\":\"bulk\",\"id\":\"x\",\"namespaces\":{}}", "'namespaces' must be an array, not object" },
        { "{\"command\":\"bulks\",\"limit\":1001}", "'limit' must be a whole number from 0 to 1000" },
        { "{\"command\":\"bulk-stop\"}", "'id' is missing" },
        { "{\"command\":\"goto\",\"id\":\"x\"}", "'task' is missing" },
        { "{\"command\":\"edit\",\"id\":\"x\"}", "'patch' is missing" },
        { "{\"command\":\"edit\",\"id\":\"x\",\"patch\":{}}", "'patch' must be an array, not object" },
        { "{\"command\":\"skip\",\"id\":\"x\",\"input\":1}", "'skip' knows no member 'input'" },
        { "{\"command\":\"retry\",\"id\":\"x\",\"confirm\":\"yes\"}", "'confirm' must be true or false, not string" },
        { "{\"command\":\"fail\",\"id\":\"x\",\"dryRun\":1}", "'dryRun' must be true or false, not number" },
        { "{\"command\":\"rewind\",\"id\":\"x\",\"step\":-1}", "'step' must be a whole number" },
        { "{\"command\":\"fork\",\"id\":\"x\",\"step\":1,\"labels\":[]}", "'labels' must be an object, not array" },
        { "{\"command\":\"effects\",\"id\":\"x\",\"behind\":\"1\"}", "'behind' must be a whole number" },
        { "{\"command\":\"compensation\",\"id\":\"x\",\"limit\":1001}", "'limit' must be a whole number from 0 to 1000" },
        { "{\"command\":\"wait\",\"id\":\"x\",\"for\":\"ever\"}", "end, settled, idle or moved, not 'ever'" },
        { "{\"command\":\"graph\",\"text\":\"\",\"name\":\"x\"}", "one of the two" },
        { "{\"command\":\"graph\",\"name\":\"x\",\"format\":\"svg\"}", "json, mermaid or dot, not 'svg'" },
        { "{\"command\":\"tasks\"}", "whose tasks?" },
        { "{\"command\":\"token-create\",\"name\":\"ann\",\"roles\":[],\"idempotencyKey\":\"k\"}", "knows no idempotencyKey" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        expect_error(&a, cases[i].request, "invalid", cases[i].says);
    fixture_done(&a.f);
}

TEST(command, an_instance_is_started_moved_watched_and_deleted)
{
    asked a;
    asked_init(&a);
    expect(&a, "{\"command\":\"start\",\"name\":\"quick\",\"key\":\"k\",\"labels\":{\"a\":\"1\"},\"correlation\":\"c\"}",
           "[.ok.existed, (.ok.id | length)]", "[false,26]");
    expect(&a, "{\"command\":\"list\",\"labels\":{\"a\":\"1\"},\"correlation\":\"c\",\"key\":\"k\"}", ".ok.instances | length", "1");
    expect(&a, "{\"command\":\"count\"}", ".ok", "{\"total\":2,\"statuses\":{\"waiting\":1,\"completed\":1}}");
    expect(&a, "{\"command\":\"start\",\"name\":\"quick\",\"startAt\":\"2999-01-01T00:00:00Z\",\"key\":\"l\"}", ".ok.existed", "false");
    expect(&a, "{\"command\":\"head\",\"id\":\"$ID\"}", "[.ok.token, .ok.status]", "[1,\"waiting\"]");
    expect(&a, "{\"command\":\"suspend\",\"id\":\"$ID\",\"actor\":\"ann\",\"ifToken\":1}", "[.ok.token, .ok.status, .ok.repeated]",
           "[2,\"suspended\",false]");
    expect_error(&a, "{\"command\":\"continue\",\"id\":\"$ID\",\"ifToken\":1}", "stale-token", "token 2");
    expect(&a, "{\"command\":\"wait\",\"id\":\"$ID\",\"for\":\"moved\",\"token\":1}", "[.ok.token, .ok.status]", "[2,\"suspended\"]");
    expect_error(&a, "{\"command\":\"wait\",\"id\":\"$ID\",\"for\":\"moved\",\"token\":2}", "timeout", "not moved yet");
    expect_error(&a, "{\"command\":\"output\",\"id\":\"$ID\"}", "instance-not-ended", "suspended");
    expect_error(&a, "{\"command\":\"delete\",\"id\":\"$ID\"}", "instance-not-ended", "");
    expect(&a, "{\"command\":\"cancel\",\"id\":\"$ID\",\"reason\":\"no\",\"idempotencyKey\":\"r\"}", ".ok.token", "3");
    expect(&a, "{\"command\":\"cancel\",\"id\":\"$ID\",\"reason\":\"no\",\"idempotencyKey\":\"r\"}", ".ok.repeated", "false");
    expect_error(&a, "{\"command\":\"cancel\",\"id\":\"$ID\",\"reason\":\"yes\",\"idempotencyKey\":\"r\"}", "idempotency-key-reused", "");
    expect(&a, "{\"command\":\"wait\",\"id\":\"$ID\"}", ".ok.status", "\"cancelled\"");
    expect(&a, "{\"command\":\"log\",\"id\":\"$ID\"}", ".ok.steps | length", "3");
    expect(&a, "{\"command\":\"delete\",\"id\":\"$ID\"}", ".ok.id | length", "26");
    expect_error(&a, "{\"command\":\"show\",\"id\":\"$ID\"}", "no-such-instance", "");
    fixture_done(&a.f);
}

TEST(command, a_restricted_person_sees_and_does_what_is_its_own)
{
    asked a;
    asked_init(&a);
    static const char *const bob = "\"actor\":\"bob\",\"restricted\":true";
    static const char *const chief = "\"actor\":\"eve\",\"groups\":[\"boss\"],\"restricted\":true";
    static const struct {
        const char *command, *members;
        bool own;
        const char *expression, *expected;
    } steps[] = {
        { "tasks", "", false, "[.ok.bookmarks[].key]", "[]" },
        { "tasks", "", true, "[.ok.bookmarks[].key]", "[\"ok\"]" },
        { "tasks", ",\"everybody\":true", true, ".error.code", "\"denied\"" },
        { "tasks", ",\"person\":\"ann\"", true, ".error.code", "\"denied\"" },
        { "bookmark", ",\"id\":\"$ID\",\"key\":\"ok\"", false, ".error.reason", "\"not-yours\"" },
        { "bookmark", ",\"id\":\"$ID\",\"key\":\"ok\"", true, ".ok.title", "\"Approve\"" },
        { "claim", ",\"id\":\"$ID\",\"key\":\"ok\"", false, ".error.reason", "\"not-yours\"" },
        { "claim", ",\"id\":\"$ID\",\"key\":\"ok\",\"leaseMs\":60000", true, ".ok.claimedBy", "\"eve\"" },
        { "comment", ",\"id\":\"$ID\",\"key\":\"ok\",\"text\":\"hm\"", true, ".ok.token", "3" },
        { "release", ",\"id\":\"$ID\",\"key\":\"ok\"", true, ".ok | has(\"claimedBy\")", "false" },
        { "complete", ",\"id\":\"$ID\",\"key\":\"ok\",\"data\":1", false, ".error.reason", "\"not-yours\"" },
        { "complete", ",\"id\":\"$ID\",\"key\":\"ok\",\"data\":1", true, ".ok.status", "\"completed\"" },
        { "bookmark", ",\"id\":\"$ID\",\"key\":\"ok\"", true, ".ok.endedBy", "\"eve\"" }, /* what it has done it still sees */
    };
    for (size_t i = 0; i < PW_LENGTH(steps); i++) {
        char request[512];
        (void)snprintf(request, sizeof request, "{\"command\":\"%s\",%s%s}", steps[i].command, steps[i].own ? chief : bob,
                       steps[i].members);
        expect(&a, request, steps[i].expression, steps[i].expected);
    }
    expect(&a, "{\"command\":\"tasks\",\"everybody\":true}", ".ok.bookmarks", "[]");
    fixture_done(&a.f);
}

#define DOCUMENT(namespace) "document: {dsl: 1.0.0, namespace: " namespace ", name: d, version: 1.0.0}\\ndo:\\n  - a: {set: {n: 1}}\\n"

TEST(command, definitions_are_deployed_where_one_may_checked_and_drawn)
{
    asked a;
    asked_init(&a);
    expect_error(&a, "{\"command\":\"deploy\",\"text\":\"" DOCUMENT("one") "\",\"namespaces\":[\"two\"]}", "denied", "'one'");
    expect_error(&a, "{\"command\":\"deploy\",\"text\":\"" DOCUMENT("one") "\",\"namespaces\":[]}", "denied", "'one'");
    expect(&a, "{\"command\":\"deploy\",\"text\":\"do: []\",\"namespaces\":[\"two\"]}", "[.error.code, (.findings | length > 0)]",
           "[\"invalid\",true]");
    expect(&a, "{\"command\":\"deploy\",\"text\":\"" DOCUMENT("two") "\",\"namespaces\":[\"two\"],\"idempotencyKey\":\"k\"}",
           ".ok.created", "true");
    expect(&a, "{\"command\":\"deploy\",\"text\":\"" DOCUMENT("two") "\",\"namespaces\":[\"two\"],\"idempotencyKey\":\"k\"}",
           ".ok.created", "false");
    expect_error(&a, "{\"command\":\"deploy\",\"text\":\"" DOCUMENT("one") "\",\"idempotencyKey\":\"k\"}", "idempotency-key-reused", "");
    expect(&a, "{\"command\":\"definitions\",\"namespaces\":[\"two\"]}", "[.ok.definitions[].name]", "[\"d\"]");
    expect(&a, "{\"command\":\"definitions\",\"namespaces\":[]}", ".ok.definitions", "[]");
    expect(&a, "{\"command\":\"validate\",\"text\":\"" DOCUMENT("one") "\"}", ".ok.valid", "true");
    expect(&a, "{\"command\":\"validate\",\"text\":\"do: []\"}", "[.error.code, (.findings | length > 0)]", "[\"invalid\",true]");
    expect(&a, "{\"command\":\"graph\",\"name\":\"two/d\"}", ".ok.document.namespace", "\"two\"");
    expect(&a, "{\"command\":\"graph\",\"text\":\"" DOCUMENT("one") "\",\"format\":\"mermaid\"}", ".ok.text | test(\"flowchart\")", "true");
    expect_error(&a, "{\"command\":\"graph\",\"name\":\"two/e\"}", "no-such-definition", "");
    expect(&a, "{\"command\":\"status\",\"name\":\"two/d\",\"version\":\"1.0.0\",\"status\":\"archived\"}", ".ok.status", "\"archived\"");
    expect_error(&a, "{\"command\":\"start\",\"name\":\"two/d\"}", "not-startable", "archived");
    fixture_done(&a.f);
}

TEST(command, tokens_are_made_listed_and_revoked_and_the_state_is_told)
{
    asked a;
    asked_init(&a);
    char *answer = run(&a, "{\"command\":\"token-create\",\"name\":\"ann\",\"roles\":[{\"role\":\"viewer\",\"namespace\":\"*\"}],"
                           "\"ofGroups\":[\"boss\"],\"expiresAt\":\"2999-01-01T00:00:00Z\",\"actor\":\"root\"}");
    EXPECT_ASK(answer, "[.ok.name, .ok.groups, .ok.createdBy, (.ok.token | length)]", "[\"ann\",[\"boss\"],\"root\",48]");
    char revoke[128];
    (void)snprintf(revoke, sizeof revoke, "{\"command\":\"token-revoke\",\"tokenId\":%s}", ask(answer, ".ok.id"));
    pawl_free(answer);
    expect(&a, "{\"command\":\"tokens\"}", "[.ok.tokens[] | [.name, has(\"token\"), has(\"revokedAt\")]]", "[[\"ann\",false,false]]");
    expect(&a, revoke, ".ok.id | length", "26");
    expect(&a, "{\"command\":\"tokens\"}", "[.ok.tokens[] | has(\"revokedAt\")]", "[true]");
    expect(&a, "{\"command\":\"state\"}", "[.ok.store, .ok.instances.total, (.ok | has(\"degraded\"))]", "[\"\",1,false]");
    expect(&a, "{\"command\":\"state\",\"namespaces\":[\"other\"]}", "[(.ok | has(\"store\")), .ok.instances.total]", "[false,0]");
    fixture_done(&a.f);
}

TEST(command, without_memory_there_is_no_half_answer)
{
    asked a;
    asked_init(&a);
    unsigned whole = 0;
    for (unsigned nth = 1; nth < 200; nth++) {
        char *answer = NULL;
        pw_alloc_fail_after(nth);
        pawl_code code = pawl_command(a.f.p, "{\"command\":\"tasks\",\"everybody\":true,\"actor\":\"ann\",\"groups\":[\"a\"]}",
                                      &answer, &a.f.err);
        pw_alloc_fail_after(0);
        EXPECT(code == PAWL_OK || code == PAWL_NO_MEMORY);
        if (code != PAWL_OK)
            continue;
        bool told = strcmp(ask(answer, ".error.code"), "\"no-memory\"") == 0;
        if (!told)
            EXPECT_ASK(answer, "[.ok.bookmarks[].key]", "[\"ok\"]");
        whole += !told;
        pawl_free(answer);
    }
    EXPECT(whole > 0);
    fixture_done(&a.f);
}

TEST_MAIN()
