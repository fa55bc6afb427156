/* users.c - those who use the nodes: they deploy, start, answer, wait, cancel, suspend, repeat
 * themselves and contradict each other, at whichever node; and, once all is well, bring everything
 * to its end.
 *
 * An answer is held against the store in the moment it is given, before anybody else can act. */
#include <stdio.h>
#include <stdlib.h>
#include "sim.h"
#include "base/json.h"

enum {
    KEYS_MAX = 16,
    DEMANDS_MAX = 64,
    HEAL_LIMIT_S = 120,   /* a healed system does what it is asked within this */
    STILL_LIMIT_S = 1800, /* and an instance that does nothing for so long is lost */
    MENDS_MAX = 60,       /* of one instance: it comes to an end */
};

/* A start that a user may repeat. */
typedef struct plan {
    uint32_t flow;
    char key[24]; /* empty: none */
    char input[40];
    char id[PW_ID_SIZE]; /* empty: not known */
    bool tried, told;
    bool fresh; /* a start was told that it made the instance */
} plan;

/* A suspension or its end under an idempotency key: it may be asked for again and again, and has one effect. */
typedef struct demand {
    bool suspend;
    char id[PW_ID_SIZE], key[16], actor[16];
    uint64_t token; /* of its answer; 0: not told yet */
} demand;

static plan plans[SIM_INSTANCES_MAX];
static demand demands[DEMANDS_MAX];
static uint32_t demand_count;
static uint32_t plan_count, users_left;

/* ------------------------------------------------------------------ commands
 *
 * Each is run in a thread of a node: what it finds is checked there. */

typedef enum command_kind {
    DEPLOY,
    START,
    RESUME,
    CANCEL,
    SUSPEND,
    CONTINUE,
    WAIT,
    DRAIN,
    SHOW,
    PUBLISH,
    DEMAND,
    RETRY,
    FAIL,
    FORCE,
    ACT,
} command_kind;

static const char *const command_names[] = { "deploy",   "start", "resume", "cancel", "suspend",
                                             "continue", "wait",  "drain",  "show",   "publish", "demand",
                                             "retry",    "fail",  "force",  "act" };

static const char *const sim_actions[] = { [PAWL_CANCEL] = "cancel",         [PAWL_SUSPEND] = "suspend",
                                           [PAWL_CONTINUE] = "continue",     [PAWL_RETRY] = "retry",
                                           [PAWL_FAIL] = "fail",             [PAWL_SKIP] = "skip",
                                           [PAWL_GOTO] = "goto",             [PAWL_EDIT] = "edit",
                                           [PAWL_COMPENSATE] = "compensate", [PAWL_REWIND] = "rewind" };

typedef struct command {
    command_kind kind;
    plan *plan;
    demand *demand;
    uint32_t flow;
    char id[PW_ID_SIZE];
    char key[80];
    char input[120]; /* or data */
    pawl_change action;
    const char *task;
    uint64_t step, visit;
    bool confirmed, dry, given; /* given: input is */
    bool mends; /* an answer about an incident: it may be refused as what it asks for is */
    char actor[16];
    pawl_wait_for what;
    uint64_t timeout_ms;
    uint32_t first, count; /* messages */
    uint64_t ttl_ms;
    pawl_code code;
    pawl_error error;
} command;

static void do_deploy(pawl *p, command *c)
{
    const sim_flow *flow = &sim_flows[c->flow];
    c->code = pawl_deploy(p, flow->text, flow->length, NULL, NULL, NULL, &c->error);
    if (c->code == PAWL_INVALID && sim_self()->complete)
        sim_violation("flow%u is not taken: %s", c->flow, c->error.message);
    if (c->code != PAWL_OK)
        return;
    sim_flows[c->flow].deployed = true;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_definition d;
    if (pw_store_definition_get(sim_store, PW_LIT("sim"), pw_str_of(flow->name), PW_LIT("1.0.0"),
                                &d, &arena, NULL) != PAWL_OK)
        sim_violation("flow%u was told deployed, and is not in the store", c->flow);
    pw_arena_done(&arena);
}

/* As the engine makes it: public, so that a repeated start can be recognised. */
static void id_of_key(char out[PW_ID_SIZE], const char *flow, const char *key)
{
    const pw_str parts[] = { PW_LIT("sim"), pw_str_of(flow), pw_str_of(key) };
    pw_digest digest = pw_digest_of(parts, PW_LENGTH(parts));
    pw_id_of_digest(out, &digest);
}

static void do_start(pawl *p, command *c)
{
    plan *its = c->plan;
    const char *flow = sim_flows[its->flow].name;
    char name[32];
    (void)snprintf(name, sizeof name, "sim/%s", flow);
    pawl_start_options options = { .struct_size = sizeof options };
    options.name = name;
    options.key = its->key[0] ? its->key : NULL;
    options.input = c->input;
    options.actor = c->actor;
    char *id = NULL;
    int existed = 0;
    bool deployed = sim_flows[its->flow].deployed;
    c->code = pawl_start(p, &options, &id, &existed, &c->error);
    if (c->code == PAWL_OK) {
        sim_check_started(pw_str_of(id), options.key, c->input);
        memcpy(c->id, id, PW_ID_SIZE);
        memcpy(its->id, id, PW_ID_SIZE);
        its->told = true;
        if (options.key && !existed && its->fresh)
            sim_violation("i%u: two starts with one key were told that they made it",
                          sim_alias(pw_str_of(id)));
        its->fresh = its->fresh || !existed;
        if (!options.key && existed)
            sim_violation("a start without a key was told that it existed");
        pawl_free(id);
    } else if (c->code == PAWL_CONFLICT) {
        char known[PW_ID_SIZE];
        id_of_key(known, flow, its->key);
        sim_check_start_conflict(pw_str_of(known), c->input);
        its->told = true; /* a contradiction was first */
    } else if (c->code == PAWL_NOT_FOUND && deployed) {
        sim_violation("a start was told: %s", c->error.message);
    }
}

static void do_resume(pawl *p, command *c)
{
    pw_str id = pw_str_of(c->id), key = pw_str_of(c->key);
    uint64_t before = sim_open_bookmark(id, key);
    c->code = pawl_resume(p, c->id, c->key, c->input, c->actor, &c->error);
    if (c->code == PAWL_OK)
        sim_check_resumed(id, c->key, c->input);
    bool refused = c->code == PAWL_NOT_FOUND || c->code == PAWL_CONFLICT || c->code == PAWL_STATE;
    if (refused && before && !c->mends && sim_open_bookmark(id, key) == before)
        sim_violation("i%u: an answer to '%s', which was open all the while, was refused: %s",
                      sim_alias(id), c->key, c->error.message);
}

static void do_control(pawl *p, command *c)
{
    uint32_t alias = sim_alias(pw_str_of(c->id));
    pw_status before = sim_ledger_of(alias).status;
    if (c->kind == CANCEL)
        c->code = pawl_cancel(p, c->id, c->actor, "no longer wanted", &c->error);
    else if (c->kind == SUSPEND)
        c->code = pawl_suspend(p, c->id, c->actor, "wait", &c->error);
    else
        c->code = pawl_continue(p, c->id, c->actor, "go on", &c->error);
    sim_entry after = sim_ledger_of(alias);
    if (c->kind == CANCEL && c->code == PAWL_OK && after.status != PW_CANCELLED && !after.compensated)
        sim_violation("i%u was told cancelled, and is %s", alias, pw_status_name(after.status));
    if (c->kind == SUSPEND && c->code == PAWL_OK && after.suspended == 0)
        sim_violation("i%u was told suspended, and never was", alias);
    if (c->code == PAWL_STATE && !pw_status_ended(after.status) && !after.incident && !after.compensated)
        sim_violation("i%u is %s, and a command was told: %s", alias, pw_status_name(after.status),
                      c->error.message);
    if (c->code == PAWL_NOT_FOUND)
        sim_violation("i%u is in the store as %s, and a command was told: %s", alias,
                      pw_status_name(before), c->error.message);
}

/* An incident is tried again, or given up; an instance that lives makes its next attempt now. */
static void do_judge(pawl *p, command *c)
{
    uint32_t alias = sim_alias(pw_str_of(c->id));
    sim_entry before = sim_ledger_of(alias);
    const pawl_request request = { .struct_size = sizeof request, .actor = c->actor };
    char *told = NULL;
    c->code = pawl_change_with(p, c->id, c->kind == RETRY ? PAWL_RETRY : PAWL_FAIL, "well", &request, &told, &c->error);
    bool repeated = c->code == PAWL_OK && strstr(told, "\"repeated\":true") != NULL;
    sim_entry after = sim_ledger_of(alias);
    if (c->kind == FAIL && c->code == PAWL_OK && !repeated && after.failed == before.failed)
        sim_violation("i%u: its incident was told given up, and was not", alias);
    if (c->code == PAWL_STATE && c->error.reason != PAWL_REASON_UNKNOWN_OUTCOME && before.incident && after.incident &&
        before.incidents == after.incidents)
        sim_violation("i%u: its incident is open all the while, and it was told: %s", alias, c->error.message);
    if (c->code == PAWL_NOT_FOUND || c->code == PAWL_INVALID)
        sim_violation("i%u: an incident cannot be judged: %s", alias, c->error.message);
    pawl_free(told);
}

/* What may be wrong with what is asked for, so that it is not done: nobody but core knows. */
static bool may_be_refused(const command *c)
{
    pawl_reason reason = c->error.reason;
    return c->code == PAWL_INVALID
               ? c->given || c->action == PAWL_GOTO || c->action == PAWL_COMPENSATE || c->action == PAWL_REWIND
               : c->code == PAWL_STATE || (c->code == PAWL_NOT_FOUND && c->action == PAWL_REWIND) ||
                     (c->code == PAWL_CONFLICT && reason == PAWL_REASON_NOT_REPLAYED);
}

/* An operator mends what went wrong. The ledger looks at what comes of it. */
static void do_act(pawl *p, command *c)
{
    const uint32_t alias = sim_alias(pw_str_of(c->id));
    const pawl_request request = { .struct_size = sizeof request, .actor = c->dry ? SIM_DRY : c->actor };
    pawl_act_options o = { .struct_size = sizeof o, .id = c->id, .action = c->action, .reason = "well" };
    const char **argument = c->action == PAWL_SKIP ? &o.output : c->action == PAWL_EDIT ? &o.patch : &o.input;
    *argument = c->given ? c->input : NULL;
    if (c->given && !c->dry)
        sim_ledger_fed(alias);
    o.task = c->task;
    o.step = c->step;
    o.visit = c->visit;
    o.confirmed = c->confirmed;
    o.dry_run = c->dry;
    char *told = NULL;
    c->code = pawl_act(p, &o, &request, &told, &c->error);
    bool busy = c->code == PAWL_BUSY || c->code == PAWL_IO || c->code == PAWL_NO_MEMORY;
    if (c->code != PAWL_OK && !busy && !may_be_refused(c))
        sim_violation("i%u: %s is told: %s", alias, sim_actions[c->action], c->error.message);
    if (c->code == PAWL_OK && !c->dry && c->action == PAWL_COMPENSATE && !sim_ledger_of(alias).compensated)
        sim_violation("i%u: its compensation was told begun, and was not", alias);
    if (c->code == PAWL_OK && c->dry != (strstr(told, "\"dryRun\":true") != NULL))
        sim_violation("i%u: %s is answered by %.200s", alias, sim_actions[c->action], told);
    pawl_free(told);
}

/* What would be undone is shown as a list that has an end. */
static void do_plan(pawl *p, command *c)
{
    char *shown = NULL;
    c->code = pawl_compensation(p, c->id, NULL, 0, &shown, &c->error);
    if (c->code != PAWL_OK && c->code != PAWL_IO && c->code != PAWL_NO_MEMORY)
        sim_violation("i%u: its plan is not shown: %s", sim_alias(pw_str_of(c->id)), c->error.message);
    pawl_free(shown);
}

/* The breaker of a service is held open or closed, or let go. */
static void do_force(pawl *p, command *c)
{
    const pawl_request request = { .struct_size = sizeof request, .actor = c->actor };
    c->code = pawl_breaker_force(p, c->key, c->input, "maintenance", &request, NULL, &c->error);
    if (c->code == PAWL_INVALID || (c->code == PAWL_NOT_FOUND && strcmp(c->input, "open") == 0))
        sim_violation("the breaker of %s is not forced: %s", c->key, c->error.message);
}

/* The step that an answer names is the one that the request has caused, and every answer names the same. */
static void check_demand(demand *d, const char *answer)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    uint32_t alias = sim_alias(pw_str_of(d->id));
    pw_value told;
    int64_t token = 0;
    pw_step_row *rows = NULL;
    size_t count = 0;
    if (pw_json_parse(&told, pw_str_of(answer), NULL, &arena, NULL) != PAWL_OK ||
        !pw_integer(pw_get_lit(told, "token"), &token))
        sim_violation("i%u: the answer of '%s' is %s", alias, d->key, answer);
    if (!pw_truthy(pw_get_lit(told, "repeated"))) { /* else it was so before, by another, and is not remembered */
        if (d->token && d->token != (uint64_t)token)
            sim_violation("i%u: '%s' was told step %llu, and then %llu", alias, d->key,
                          (unsigned long long)d->token, (unsigned long long)token);
        d->token = (uint64_t)token;
        if (pw_store_steps(sim_store, pw_str_of(d->id), d->token, 1, &rows, &count, &arena, NULL) == PAWL_OK &&
            (count != 1 || rows[0].sequence != d->token ||
             !pw_str_is(rows[0].event, d->suspend ? "suspend" : "continue")))
            sim_violation("i%u: step %llu is not that of '%s'", alias, (unsigned long long)d->token, d->key);
    }
    pw_arena_done(&arena);
}

static void do_demand(pawl *p, command *c)
{
    demand *d = c->demand;
    char *answer = NULL;
    const pawl_request request = { .struct_size = sizeof request, .actor = d->actor, .idempotency_key = d->key };
    c->code = pawl_change_with(p, d->id, d->suspend ? PAWL_SUSPEND : PAWL_CONTINUE, NULL, &request, &answer, &c->error);
    if (c->code == PAWL_OK)
        check_demand(d, answer);
    if (c->code != PAWL_OK && d->token && c->code != PAWL_BUSY && c->code != PAWL_IO && c->code != PAWL_NO_MEMORY)
        sim_violation("i%u: '%s' was told OK, and now: %s", sim_alias(pw_str_of(d->id)), d->key, c->error.message);
    pawl_free(answer);
}

static void do_wait(pawl *p, command *c)
{
    char *shown = NULL;
    c->code = pawl_wait(p, c->id, c->what, c->timeout_ms, &shown, &c->error);
    uint32_t alias = sim_alias(pw_str_of(c->id));
    pw_status status = sim_ledger_of(alias).status;
    if (c->code == PAWL_OK && c->what == PAWL_WAIT_END && !pw_status_ended(status))
        sim_violation("i%u was told ended, and is %s", alias, pw_status_name(status));
    if (c->code == PAWL_NOT_FOUND)
        sim_violation("i%u is in the store, and a wait was told: %s", alias, c->error.message);
    pawl_free(shown);
}

/* Lists for people: what they show may be old by then, but they are there. */
static void do_list(pawl *p, command *c)
{
    const pawl_incidents_options open = { .struct_size = sizeof open, .limit = 3 };
    char *shown[4] = { NULL };
    pawl_code codes[] = { pawl_incidents(p, &open, &shown[0], &c->error), pawl_calls(p, c->id, &shown[1], &c->error),
                          pawl_breakers(p, 1, &shown[2], &c->error), pawl_incident(p, c->id, &shown[3], &c->error) };
    for (size_t i = 0; i < PW_LENGTH(codes); i++) {
        if (codes[i] != PAWL_OK && codes[i] != PAWL_IO && !(i == 3 && codes[i] == PAWL_NOT_FOUND))
            sim_violation("i%u: list %zu is not shown: %s", sim_alias(pw_str_of(c->id)), i, c->error.message);
        pawl_free(shown[i]);
    }
    sim_check_incidents();
}

static void do_show(pawl *p, command *c)
{
    char *shown = NULL;
    do_list(p, c);
    do_plan(p, c);
    c->code = pawl_show(p, c->id, &shown, &c->error);
    if (c->code == PAWL_OK) {
        pawl_free(shown);
        shown = NULL;
        c->code = pawl_log(p, c->id, 1, 0, &shown, &c->error);
    }
    if (c->code != PAWL_OK && c->code != PAWL_IO)
        sim_violation("i%u cannot be shown: %s", sim_alias(pw_str_of(c->id)), c->error.message);
    pawl_free(shown);
}

static void do_publish(pawl *p, command *c)
{
    pw_buf text;
    char *told = NULL;
    pw_buf_init(&text, 0);
    for (uint32_t i = 0; i < c->count; i++) {
        pw_buf_text(&text, i ? "," : "[");
        sim_message_write(&text, c->first + i);
    }
    pw_buf_text(&text, "]");
    char *all = pw_buf_take(&text);
    const pawl_publish_options options = {
        .struct_size = sizeof options, .actor = c->actor, .ttl_ms = c->ttl_ms
    };
    c->code = pawl_publish(p, all, &options, &told, &c->error);
    if (c->code == PAWL_OK)
        sim_message_told(told, c->ttl_ms != 0);
    if (c->code == PAWL_INVALID)
        sim_violation("messages are not taken: %s", c->error.message);
    pawl_free(told);
    pw_free(all);
}

static void run_command(pawl *p, void *context)
{
    command *c = context;
    switch (c->kind) {
    case DEPLOY:
        do_deploy(p, c);
        break;
    case START:
        do_start(p, c);
        break;
    case RESUME:
        do_resume(p, c);
        break;
    case CANCEL:
    case SUSPEND:
    case CONTINUE:
        do_control(p, c);
        break;
    case WAIT:
        do_wait(p, c);
        break;
    case DRAIN:
        c->code = pawl_drain(p, c->timeout_ms, &c->error);
        break;
    case SHOW:
        do_show(p, c);
        break;
    case PUBLISH:
        do_publish(p, c);
        break;
    case DEMAND:
        do_demand(p, c);
        break;
    case RETRY:
    case FAIL:
        do_judge(p, c);
        break;
    case FORCE:
        do_force(p, c);
        break;
    case ACT:
        do_act(p, c);
        break;
    }
    sim_note("%s i%u '%s' %s: %s", c->kind == ACT ? sim_actions[c->action] : command_names[c->kind],
             c->id[0] ? sim_alias(pw_str_of(c->id)) : 0, c->key, c->input,
             c->code == PAWL_OK ? "ok" : c->error.message);
}

/* True: it was answered. */
static bool order_at(command *c, sim_node *node)
{
    c->code = PAWL_BUSY;
    bool answered = sim_call_in(node, command_names[c->kind], run_command, c);
    if (!answered)
        sim_note("%s i%u at node %u: no answer", command_names[c->kind],
                 c->id[0] ? sim_alias(pw_str_of(c->id)) : 0, node ? node->number : 0);
    return answered;
}

/* At any node, and the next when that one says that the instance is not its own. */
static bool order(command *c)
{
    sim_node *first = sim_pick_node(SIM_USER);
    c->code = PAWL_BUSY;
    bool answered = first && order_at(c, first);
    for (uint32_t i = 1; i < sim_settings.nodes && answered && c->code == PAWL_BUSY; i++) {
        sim_node *node = &sim_nodes[(first->number - 1 + i) % sim_settings.nodes];
        if (node->alive && node->engine && !node->closing)
            answered = order_at(c, node);
    }
    return answered;
}

/* ------------------------------------------------------------------ what users do */

static bool allowed(sim_kind kind)
{
    return !sim_settings.off[kind];
}

static uint64_t draw(uint64_t n)
{
    return sim_below(SIM_USER, n);
}

static uint32_t some_instance(void)
{
    uint32_t count = sim_ledger_count(), at = (uint32_t)draw(count);
    for (uint32_t i = 0; i < count; i++)
        if (sim_ledger_of((at + i) % count + 1).known)
            return (at + i) % count + 1;
    return 0;
}

static void start(plan *its, const char *input)
{
    command c = { .kind = START, .plan = its };
    (void)snprintf(c.input, sizeof c.input, "%s", input);
    (void)snprintf(c.actor, sizeof c.actor, "user%llu", (unsigned long long)draw(3));
    its->tried = sim_pick_node(SIM_USER) != NULL;
    if (order(&c) && c.code != PAWL_OK && !its->key[0])
        its->tried = false; /* it was refused */
}

/* True: there was one that is not told OK, and what became of it may be asked again. */
static bool start_one(void)
{
    for (uint32_t i = 0; i < plan_count; i++)
        if (!plans[i].told && (plans[i].key[0] || !plans[i].tried)) {
            start(&plans[i], plans[i].input);
            return true;
        }
    return false;
}

static void start_again(void)
{
    plan *its = &plans[draw(plan_count)];
    if (!its->tried || !its->key[0])
        return;
    start(its, draw(4) ? its->input : "{\"n\":77}");
}

typedef struct rival {
    command command;
    bool done;
} rival;

static void run_rival(void *context)
{
    rival *r = context;
    (void)order(&r->command);
    r->done = true;
    sim_wake(r);
}

/* Two answers to the same question, at the same time, perhaps at two nodes. */
static void answer_twice(const command *c)
{
    bool once = c->key[0] == 't'; /* a key that the engine made is of one visit */
    rival *r = sim_alloc(sizeof *r);
    r->command = *c;
    if (draw(2))
        (void)snprintf(r->command.input, sizeof r->command.input, "{\"answer\":%llu}",
                       (unsigned long long)draw(9));
    (void)sim_spawn(NULL, "rival", run_rival, r);
    command mine = *c;
    (void)order(&mine);
    while (!r->done)
        (void)sim_wait(r, UINT64_MAX);
    if (mine.code == PAWL_OK && r->command.code == PAWL_OK &&
        strcmp(mine.input, r->command.input) != 0 && once)
        sim_violation("i%u: two different answers to '%s' were both told OK",
                      sim_alias(pw_str_of(c->id)), c->key);
    free(r);
}

static const char *const remedies[] = { "retry", "skip", "skip", "fail", "compensate" };

static bool answer(uint32_t alias, bool twice)
{
    char *keys[KEYS_MAX];
    pw_str id = sim_alias_id(alias);
    size_t count = sim_open_keys(id, keys, KEYS_MAX), at = (size_t)draw(count);
    command c = { .kind = RESUME };
    memcpy(c.id, id.ptr, id.len);
    if (count)
        (void)snprintf(c.key, sizeof c.key, "%s", keys[at]);
    for (size_t i = 0; i < count; i++)
        free(keys[i]);
    if (!count)
        return false;
    (void)snprintf(c.input, sizeof c.input, "{\"answer\":%llu}", (unsigned long long)draw(9));
    (void)snprintf(c.actor, sizeof c.actor, "user%llu", (unsigned long long)draw(3));
    c.mends = sim_ledger_of(alias).incident && draw(3);
    if (c.mends)
        (void)snprintf(c.input, sizeof c.input, "{\"action\":\"%s\",\"confirmed\":%s}",
                       remedies[draw(PW_LENGTH(remedies))], draw(2) ? "true" : "false");
    if (twice && !c.mends)
        answer_twice(&c);
    else
        (void)order(&c);
    if (c.code == PAWL_OK && allowed(SIM_USERS) && !sim_healed && draw(3) == 0)
        (void)order(&c); /* the same again */
    return true;
}

static void control(command_kind kind, uint32_t alias)
{
    command c = { .kind = kind };
    pw_str id = sim_alias_id(alias);
    memcpy(c.id, id.ptr, id.len);
    (void)snprintf(c.actor, sizeof c.actor, "user%llu", (unsigned long long)draw(3));
    (void)order(&c);
}

static const char *const values[] = { "{\"n\":1}", "{\"n\":2,\"edited\":true}", "{}", "{\"value\":3,\"weight\":1,\"answer\":2}", "7",
                                      "null" };
static const char *const patches[] = {
    "[{\"op\":\"add\",\"path\":\"/context\",\"value\":{\"note\":1}}]",
    "[{\"op\":\"replace\",\"path\":\"/input\",\"value\":{\"n\":1,\"edited\":true}}]",
    "[{\"op\":\"add\",\"path\":\"/input/n\",\"value\":2}]",
    "[{\"op\":\"test\",\"path\":\"/input/n\",\"value\":99}]",
    "[{\"op\":\"add\",\"path\":\"/other\",\"value\":1}]",
    "[]",
};

/* Only what core has is worth trying. */
static void mend(pawl_change action, uint32_t alias, bool dry)
{
    command c = { .kind = ACT, .action = action, .dry = dry, .confirmed = draw(2) };
    pw_str id = sim_alias_id(alias);
    memcpy(c.id, id.ptr, id.len);
    (void)snprintf(c.actor, sizeof c.actor, "user%llu", (unsigned long long)draw(3));
    c.given = action == PAWL_EDIT ||
              (action != PAWL_COMPENSATE && action != PAWL_FAIL && action != PAWL_CANCEL && draw(2));
    if (action == PAWL_GOTO)
        c.task = sim_ledger_task(alias, draw(sim_ledger_visits(alias)));
    if (action == PAWL_REWIND && draw(2))
        c.visit = 1 + draw(sim_ledger_visits(alias));
    else if (action == PAWL_REWIND)
        c.step = 1 + draw(sim_ledger_of(alias).sequence);
    if (action == PAWL_REWIND && !c.visit)
        c.given = false;
    if ((action == PAWL_GOTO && !c.task) || sim_ledger_of(alias).mended > MENDS_MAX)
        return;
    if (action == PAWL_EDIT)
        c.confirmed = false;
    if (c.given)
        (void)snprintf(c.input, sizeof c.input, "%s",
                       action == PAWL_EDIT ? patches[draw(PW_LENGTH(patches))] : values[draw(PW_LENGTH(values))]);
    if (action == PAWL_COMPENSATE || action == PAWL_FAIL || action == PAWL_CANCEL)
        c.confirmed = false;
    (void)order(&c);
}

/* Behind one of them, or this one if no incident is open. */
static uint32_t with_incident_behind(uint32_t alias)
{
    uint32_t count = sim_ledger_count();
    for (uint32_t i = 0; i < count; i++)
        if (sim_ledger_of((alias + i) % count + 1).incident)
            return (alias + i) % count + 1;
    return alias;
}

/* What operators do; most of it is for an incident. */
static void mend_something(uint32_t alias)
{
    static const pawl_change with_incident[] = { PAWL_RETRY, PAWL_RETRY, PAWL_SKIP, PAWL_SKIP,      PAWL_GOTO,
                                                 PAWL_GOTO,  PAWL_EDIT,  PAWL_EDIT, PAWL_COMPENSATE,
                                                 PAWL_REWIND };
    static const pawl_change without[] = { PAWL_COMPENSATE, PAWL_COMPENSATE, PAWL_COMPENSATE,
                                           PAWL_EDIT,       PAWL_SKIP,       PAWL_GOTO,
                                           PAWL_REWIND,     PAWL_REWIND };
    alias = draw(3) ? with_incident_behind(alias) : alias;
    bool open = sim_ledger_of(alias).incident;
    mend(open ? with_incident[draw(PW_LENGTH(with_incident))] : without[draw(PW_LENGTH(without))], alias, draw(4) == 0);
}

static void force(const char *how, uint32_t which)
{
    static const char *const services[] = { "http://service0.test:80", "http://service1.test:80",
                                            "http://service2.test:80", "shared0", "shared1" };
    command c = { .kind = FORCE };
    (void)snprintf(c.key, sizeof c.key, "%s", services[which % PW_LENGTH(services)]);
    (void)snprintf(c.input, sizeof c.input, "%s", how);
    (void)snprintf(c.actor, sizeof c.actor, "user%llu", (unsigned long long)draw(3));
    (void)order(&c);
}

/* No breaker is forced any more. */
static void force_none(void)
{
    for (uint32_t which = 0; which < 5; which++)
        for (uint64_t limit = sim_now_ns + HEAL_LIMIT_S * SIM_S; sim_breaker_is_forced(which);) {
            force("auto", which);
            if (sim_now_ns > limit)
                sim_violation("all is well, and breaker %u is not let go", which);
            sim_sleep(SIM_S);
        }
}

/* A new one, or one that was made before, whoever has heard of it since. */
static void make_demand(uint32_t alias)
{
    bool fresh = demand_count < DEMANDS_MAX && (demand_count == 0 || draw(2));
    demand *d = &demands[fresh ? demand_count++ : draw(demand_count)];
    if (fresh) {
        pw_str id = sim_alias_id(alias);
        *d = (demand){ .suspend = draw(2) };
        memcpy(d->id, id.ptr, id.len);
        (void)snprintf(d->key, sizeof d->key, "demand-%u", demand_count);
        (void)snprintf(d->actor, sizeof d->actor, "user%llu", (unsigned long long)draw(3));
    }
    command c = { .kind = DEMAND, .demand = d };
    memcpy(c.id, d->id, sizeof c.id);
    (void)order(&c);
    if (c.code != PAWL_OK && draw(2))
        (void)order(&c);
}

static void wait_for(uint32_t alias)
{
    command c = { .kind = WAIT, .what = (pawl_wait_for)draw(3), .timeout_ms = draw(5000) };
    pw_str id = sim_alias_id(alias);
    memcpy(c.id, id.ptr, id.len);
    (void)order(&c);
}

static void drain(void)
{
    command c = { .kind = DRAIN, .timeout_ms = 1 + draw(3000) };
    (void)order(&c);
}

/* New ones, or some that were sent before; perhaps the same twice. */
static void publish_some(bool again)
{
    command c = { .kind = PUBLISH, .count = 1 + (uint32_t)draw(draw(3) ? 3 : 12) };
    uint32_t known = sim_message_count();
    if (again && known > c.count)
        c.first = (uint32_t)draw(known - c.count);
    else
        c.first = sim_message_new(c.count);
    if (draw(8) == 0) {
        c.ttl_ms = 1 + draw(30000);
        sim_message_short(c.first, c.count);
    }
    (void)snprintf(c.actor, sizeof c.actor, "user%llu", (unsigned long long)draw(3));
    (void)order(&c);
    if (c.code != PAWL_OK && draw(2))
        (void)order(&c);
}

/* As another process writes it. */
static void write_inbox(uint32_t alias)
{
    static const char *const kinds[] = { "resume", "suspend", "continue", "retry", "cancel", "fail", "dance" };
    static uint32_t number;
    char key[32], payload[160];
    char *keys[KEYS_MAX];
    size_t count = sim_open_keys(sim_alias_id(alias), keys, KEYS_MAX);
    size_t kind = draw(20) ? draw(4) : draw(PW_LENGTH(kinds));
    uint32_t dedupe = draw(8) ? ++number : number;
    (void)snprintf(key, sizeof key, "row-%u", dedupe);
    (void)snprintf(payload, sizeof payload,
                   "{\"key\":\"%s\",\"data\":{\"answer\":%llu},\"reason\":\"by mail\"}",
                   count ? keys[draw(count)] : "nothing", (unsigned long long)draw(9));
    for (size_t i = 0; i < count; i++)
        free(keys[i]);
    const pw_inbox_row row = { .target = sim_alias_id(alias),
                               .key = pw_str_of(key),
                               .kind = pw_str_of(kinds[kind]),
                               .payload = pw_str_of(payload),
                               .actor = PW_LIT("mail"),
                               .created_ms = sim_now_ms() };
    pawl_code code = pw_store_inbox_put(sim_store, &row, NULL);
    sim_note("inbox: i%u %s %s %s: %s", alias, key, kinds[kind], payload, pawl_code_name(code));
}

static void act(void)
{
    uint32_t alias = sim_ledger_count() ? some_instance() : 0;
    bool wild = allowed(SIM_USERS);
    uint64_t what = draw(40);
    if ((!alias || what < 6) && start_one())
        return;
    if (!alias)
        return;
    if (what < 12)
        (void)answer(alias, wild && draw(3) == 0);
    else if (what < 14 && wild)
        start_again();
    else if (what < 15 && wild && draw(2))
        control(CANCEL, alias);
    else if (what < 17 && wild)
        control(SUSPEND, alias);
    else if (what < 18)
        control(CONTINUE, alias);
    else if (what < 19 && wild)
        make_demand(alias);
    else if (what < 20 && allowed(SIM_INBOX))
        write_inbox(alias);
    else if (what < 22 && sim_ledger_of(alias).incident)
        control(draw(6) ? RETRY : FAIL, alias);
    else if (what < 21 && wild)
        control(draw(4) ? RETRY : FAIL, alias);
    else if (what < 22)
        wait_for(alias);
    else if (what < 23)
        drain();
    else if (what < 24 && wild)
        force((const char *const[]){ "auto", "auto", "open", "closed" }[draw(4)], (uint32_t)draw(5));
    else if (what < 29)
        publish_some(wild && draw(4) == 0);
    else if (what < 38 && wild)
        mend_something(alias);
    else {
        command c = { .kind = SHOW };
        pw_str id = sim_alias_id(alias);
        memcpy(c.id, id.ptr, id.len);
        (void)order(&c);
    }
}

static bool all_deployed(void)
{
    for (uint32_t i = 0; i < sim_flow_count; i++)
        if (!sim_flows[i].deployed)
            return false;
    return true;
}

static void be_user(void *context)
{
    uint32_t number = *(uint32_t *)context;
    uint64_t actions = 10 + draw(40);
    bool hasty = draw(10) == 0;
    free(context);
    while (!hasty && !all_deployed())
        sim_sleep(50 * SIM_MS);
    for (uint64_t i = 0; i < actions; i++) {
        act();
        sim_sleep(sim_below(SIM_USER, (draw(5) ? 300 : 10000)) * SIM_MS);
    }
    sim_note("user %u goes home", number);
    users_left--;
}

static void deploy_all(void)
{
    while (!all_deployed())
        for (uint32_t i = 0; i < sim_flow_count; i++) {
            command c = { .kind = DEPLOY, .flow = i };
            if (!sim_flows[i].deployed && !(order(&c) && c.code == PAWL_OK))
                sim_sleep(200 * SIM_MS);
        }
}

static void publish(void *context)
{
    (void)context;
    deploy_all();
    sim_note("all is deployed");
    users_left--;
}

void sim_users_start(uint32_t count, uint32_t instances)
{
    plan_count = instances;
    for (uint32_t i = 0; i < instances; i++) {
        plan *p = &plans[i];
        p->flow = (uint32_t)draw(sim_flow_count);
        if (draw(4))
            (void)snprintf(p->key, sizeof p->key, "order-%u", i);
        (void)snprintf(p->input, sizeof p->input, "{\"n\":%llu}", (unsigned long long)draw(6));
    }
    users_left = count + 1;
    (void)sim_spawn(NULL, "publisher", publish, NULL);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *number = sim_alloc(sizeof *number);
        *number = i + 1;
        (void)sim_spawn(NULL, "user", be_user, number);
    }
}

bool sim_users_done(void)
{
    return users_left == 0;
}

/* ------------------------------------------------------------------ once all is well */

/* What has a key is repeated until it is told OK; without one, what got no answer stays unknown. */
static void start_all(void)
{
    uint64_t limit = sim_now_ns + HEAL_LIMIT_S * SIM_S;
    for (uint32_t i = 0; i < plan_count; i++) {
        plan *its = &plans[i];
        while (!its->told && (its->key[0] || !its->tried)) {
            start(its, its->input);
            if (!its->told && sim_now_ns > limit)
                sim_violation("all is well, and start '%s' is not taken", its->key);
            sim_sleep(its->told ? 0 : SIM_S);
        }
    }
}

/* A timer moves it, later. */
static bool sleeps(uint32_t alias)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_instance_row row;
    bool later = sim_row(sim_alias_id(alias), &row, &arena) && row.wake_at > sim_now_ms();
    pw_arena_done(&arena);
    return later;
}

/* Every incident has a way out: some tries, and then an end. */
static void judge(uint32_t alias, const sim_entry *entry, uint64_t healed_ns)
{
    bool try = entry->retried + entry->skipped + entry->moved < 8 && sim_now_ns < healed_ns + STILL_LIMIT_S * SIM_S;
    if (entry->moved_ns + 2 * STILL_LIMIT_S * SIM_S < sim_now_ns && healed_ns + 2 * STILL_LIMIT_S * SIM_S < sim_now_ns)
        sim_violation("i%u: nothing ends its incident", alias);
    if (try && draw(2)) {
        mend((const pawl_change[]){ PAWL_RETRY, PAWL_RETRY, PAWL_SKIP, PAWL_GOTO }[draw(4)], alias, false);
        return;
    }
    if (!try && !entry->compensating && draw(3) == 0) { /* the rest is for below */
        mend(PAWL_COMPENSATE, alias, false);
        return;
    }
    control(try ? draw(8) || entry->status != PW_SUSPENDED ? RETRY : CONTINUE : draw(2) ? FAIL : CANCEL, alias);
}

/* True: all have ended. */
static bool push_all(uint64_t healed_ns)
{
    bool ended = true;
    for (uint32_t alias = 1; alias <= sim_ledger_count(); alias++) {
        sim_entry entry = sim_ledger_of(alias);
        if (!entry.known || sim_has_ended(&entry))
            continue;
        ended = false;
        if (entry.incident) {
            judge(alias, &entry, healed_ns);
            continue;
        }
        uint64_t since = entry.moved_ns > healed_ns ? entry.moved_ns : healed_ns;
        uint64_t child_ns = sim_waits_for_child(sim_alias_id(alias));
        since = child_ns > since ? child_ns : since;
        if (sim_now_ns > since + STILL_LIMIT_S * SIM_S && !sleeps(alias))
            sim_violation("i%u is lost: it is %s, and does not move", alias,
                          pw_status_name(entry.status));
        if (entry.status == PW_SUSPENDED)
            control(CONTINUE, alias);
        else if (sim_listens(sim_alias_id(alias)) && draw(3))
            publish_some(false);
        else
            (void)answer(alias, false); /* no waiting: that would read it into memory */
    }
    return ended;
}

/* Also what rows of the inbox still begin. A row that nobody reads is found by the last check. */
static void push_to_the_end(uint64_t healed_ns)
{
    uint64_t ended_ns = 0;
    for (;;) {
        bool ended = push_all(healed_ns);
        if (!ended)
            ended_ns = 0;
        else if (!sim_inbox_pending() && !sim_messages_pending())
            return;
        else if (!ended_ns)
            ended_ns = sim_now_ns;
        else if (sim_now_ns > ended_ns + HEAL_LIMIT_S * SIM_S)
            return;
        sim_sleep((1 + draw(4)) * SIM_S);
    }
}

/* Everybody alive is quiet, and closes. */
static void close_all(void)
{
    for (uint32_t i = 0; i < sim_settings.nodes; i++) {
        sim_node *node = &sim_nodes[i];
        uint64_t limit = sim_now_ns + HEAL_LIMIT_S * SIM_S;
        command c = { .kind = DRAIN, .timeout_ms = 60000 };
        if (!order_at(&c, node) || c.code != PAWL_OK)
            sim_violation("all has ended, and node %u does not come to rest: %s", node->number,
                          c.error.message);
        node->done = node->closing = true;
        sim_wake(&node->closing);
        while (node->alive)
            if (!sim_wait(node, limit))
                sim_violation("node %u does not close", node->number);
    }
}

void sim_finish(void)
{
    uint64_t healed_ns = sim_now_ns;
    sim_sleep(2 * SIM_S); /* the dead are raised */
    for (uint32_t i = 0; i < sim_settings.nodes; i++)
        while (!sim_nodes[i].engine || sim_nodes[i].closing) {
            if (sim_now_ns > healed_ns + HEAL_LIMIT_S * SIM_S)
                sim_violation("node %u does not open", i + 1);
            sim_raise_all(); /* also one that was closing when all became well */
            sim_sleep(SIM_S);
        }
    force_none();
    start_all();
    push_to_the_end(healed_ns);
    while (sim_services_busy())
        sim_sleep(SIM_S);
    sim_sinks_finish();
    sim_workers_stop();
    close_all();
}
