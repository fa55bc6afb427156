/* state.c - any bytes as the stored state of an instance of one program that has every kind of
 * task: refused, or a state that answers every question, and takes every event without stopping
 * the process. What a step makes of it can be stored and read again.
 *
 * The first line is the state. A second one that begins with [[ has the rows of its wide forks.
 * Each that follows is the text of a payload; "$payload":"N" in a line names the Nth of the
 * payloads behind it. */
#include "fuzz.h"
#include "../branch_rows.h"
#include "base/digest.h"
#include "base/json.h"
#include "core/match.h"
#include "lang/lang.h"

/* Tasks are numbered in the order of the document, use.functions first: 0 /use/functions/greet,
 * 1 /do/0/all, 2 left, 3 ask, 4 right, 5 nap, 6 each, 7 work, 8 risky, 9 get, 10 mend, 11 hello,
 * 12 note, 13 pick, 14 stop, 15 race, 16 first, 17 second, 18 hear, 19 heard, 20 gather, 21 till,
 * 22 sub, 23 wide, 24 to 31 a to h, 32 person, 33 again, 34 ask, 35 job, 36 done, 37 and 38 what
 * undoes it and who is asked about it, 39 undo, 40 who is asked about all others, 41 the
 * compensation of the whole. */
static const char document[] =
    "document: { dsl: '1.0.3', namespace: fuzz, name: all, version: '1.0.0', metadata: { pawl: { "
    "onFault: { call: userTask, with: { key: help, title: '${ .name }' } } } } }\n"
    "use:\n"
    "  functions:\n"
    "    greet: { set: { hello: '${ .name }' } }\n"
    "do:\n"
    "  - all:\n"
    "      fork:\n"
    "        branches:\n"
    "          - left: { do: [ { ask: { call: userTask, with: { key: ok, title: Well } } } ] }\n"
    "          - right: { do: [ { nap: { wait: PT1H } } ] }\n"
    "  - each:\n"
    "      for: { each: item, at: i, in: '[1, 2, 3]' }\n"
    "      while: .n != 9\n"
    "      do:\n"
    "        - work: { call: echo, with: { n: '${ $item }' }, timeout: { after: PT1M } }\n"
    "  - risky:\n"
    "      try:\n"
    "        - get: { call: http, with: { method: get, endpoint: 'http://127.0.0.1:9/' } }\n"
    "      catch:\n"
    "        as: e\n"
    "        retry: { delay: PT1S, limit: { attempt: { count: 2 } } }\n"
    "        do:\n"
    "          - mend: { set: { was: '${ $e.status }' }, export: { as: '${ . }' } }\n"
    "  - hello: { call: greet, with: { name: Ann } }\n"
    "  - note: { emit: { event: { with: { type: fuzz.note, data: '${ . }' } } } }\n"
    "  - pick: { switch: [ { one: { when: .n == 1, then: stop } }, { other: { then: stop } } ] }\n"
    "  - stop: { raise: { error: { type: 'https://example.com/e', status: 400, title: No } } }\n"
    "  - race:\n"
    "      fork:\n"
    "        compete: true\n"
    "        branches:\n"
    "          - first: { if: .n != 1, call: echo, export: { as: '${ . }' } }\n"
    "          - second: { call: userTask, with: { key: ok, title: '${ $context }' } }\n"
    "  - hear:\n"
    "      listen: { to: { any: [ { with: { type: t, data: '${ $input.n }' } } ], until: length > "
    "2 } "
    "}\n"
    "      foreach: { do: [ { heard: { call: echo } } ], output: { as: '${ [., $item, $index] }' } "
    "}\n"
    "  - gather:\n"
    "      listen:\n"
    "        to:\n"
    "          all:\n"
    "            - { with: { type: t, data: '${ . == 1 }' }, correlate: { k: { from: .id } } }\n"
    "            - { with: { type: ^u|t$ }, correlate: { k: { from: .id }, m: { from: .id, expect: "
    "x "
    "} } }\n"
    "  - till:\n"
    "      listen:\n"
    "        to:\n"
    "          any: []\n"
    "          until: { all: [ { with: { source: x } }, { with: { type: t } } ] }\n"
    "  - sub:\n"
    "      run: { workflow: { namespace: a, name: b, version: latest, input: { n: '${ .n }' } } }\n"
    "      timeout: { after: PT1H }\n"
    "  - wide:\n"
    "      fork:\n"
    "        branches:\n"
    "          - a: { call: echo }\n"
    "          - b: { call: echo, with: { n: '${ . }' } }\n"
    "          - c: { call: userTask, with: { key: ok } }\n"
    "          - d: { wait: PT1H }\n"
    "          - e: { set: { n: 1 } }\n"
    "          - f: { call: http, with: { method: get, endpoint: 'http://127.0.0.1:9/' } }\n"
    "          - g: { call: echo, timeout: { after: PT1M } }\n"
    "          - h: { if: .n != 1, call: echo }\n"
    "  - person:\n"
    "      call: userTask\n"
    "      with: { key: ok, due: PT1H, candidates: { users: [ ann ] }, form: { schema: { type: "
    "object } } }\n"
    "      output: { as: '${ .n }', schema: { document: { type: [ integer, 'null' ] } } }\n"
    "  - again:\n"
    "      fork:\n"
    "        branches:\n"
    "          - ask:\n"
    "              call: http\n"
    "              with: { method: get, endpoint: 'http://127.0.0.1:9/{n}' }\n"
    "              timeout: { after: PT1H }\n"
    "              metadata:\n"
    "                pawl:\n"
    "                  resilience:\n"
    "                    onUnknownOutcome: ask\n"
    "                    timeout: '${ \"PT\\(.n)S\" }'\n"
    "                    retry: { when: '${ .status != 418 }', delay: PT1S }\n"
    "          - job: { call: echo }\n"
    "  - done:\n"
    "      call: echo\n"
    "      metadata:\n"
    "        pawl:\n"
    "          compensate: { if: .n != 1, call: echo, with: { n: '${ .n }' } }\n"
    "          onFault: { call: userTask, with: { key: help } }\n"
    "  - undo: { call: compensate, with: { scope: done } }\n";

static const pw_expr_limits limits = {
    .fuel = 20000, .memory = 1u << 20, .depth = 200, .outputs = 20
};
static const pw_core_settings settings = { .generation = { "fuzz", 4 },
                                           .tasks_per_step = 30,
                                           .long_running_ms = 3600000 };
static const pw_identity identity = {
    .instance = { "i1", 2 }, .correlation = { "i1", 2 }, .sequence = 5, .created_ms = 1790000000000
};

static pw_program *program;
static pw_expr_machine *machine;

static void prepare(void)
{
    if (program)
        return;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_findings findings = { .arena = &arena };
    pawl_error err;
    pawl_code code = pw_lang_load(&program, pw_str_of(document), &findings, &err);
    if (code != PAWL_OK)
        (void)fprintf(stderr, "%s\n", err.message);
    FUZZ_CHECK(code == PAWL_OK);
    machine = pw_expr_machine_new(&limits);
    FUZZ_CHECK(machine != NULL);
    pw_arena_done(&arena);
}

static void give_back(void) __attribute__((destructor));
static void give_back(void)
{
    pw_expr_machine_free(machine);
    pw_program_unref(program);
}

/* What is asked of a state after it was loaded; gives the waits that events and messages are aimed
 * at. */
static void ask(const pw_state *state, pw_arena *arena, pw_event *event, uint64_t *listens)
{
    pawl_error err;
    (void)pw_state_status(state);
    (void)pw_state_cut(state);
    (void)pw_state_has_incident(state);
    FUZZ_CHECK(!pw_is(pw_state_input(state), PW_NONE));
    pw_value waits = pw_state_waits(state, program, arena);
    FUZZ_CHECK(pw_is(waits, PW_ARRAY));
    FUZZ_CHECK(pw_json_text(arena, waits, PW_JSON_COMPACT).ptr != NULL);
    for (uint32_t i = 0; i < waits.count; i++) {
        int64_t visit = 0, attempt = 0;
        pw_value wait = pw_item(waits, i);
        if (pw_integer(pw_get_lit(wait, "visit"), &visit) &&
            pw_integer(pw_get_lit(wait, "attempt"), &attempt)) {
            event->visit = (uint64_t)visit;
            event->attempt = (uint32_t)attempt;
            pw_resilience said;
            (void)pw_state_wants(state, event->visit, event->attempt);
            (void)pw_state_resends(state, &settings, event->visit);
            (void)pw_state_resilience(&said, state, event->visit);
            (void)pw_state_input_of(state, event->visit);
        }
        if (pw_get_text(wait, "key").len)
            event->key = pw_get_text(wait, "key");
        if (pw_get_text(wait, "child").len && pw_integer(pw_get_lit(wait, "visit"), &visit)) {
            event->key = pw_get_text(wait, "child");
            event->visit = (uint64_t)visit;
        }
        if (pw_str_is(pw_get_text(wait, "kind"), "external-message") && visit >= 0)
            *listens = (uint64_t)visit;
    }
    pw_work *work = NULL, one;
    size_t count = 0;
    FUZZ_CHECK(pw_state_work(&work, &count, state, program, &identity, &settings, arena, &err) ==
               PAWL_OK);
    for (size_t i = 0; i < count; i++)
        FUZZ_CHECK(pw_state_work_of(&one, state, program, work[i].visit, arena));
    pw_undo_step *open = NULL;
    FUZZ_CHECK(pw_state_undo_open(&open, &count, state, program, arena, &err) == PAWL_OK);
    FUZZ_CHECK(pw_json_text(arena, pw_state_view(state, program, arena), PW_JSON_COMPACT).ptr !=
               NULL);
    pw_state *copy = NULL;
    FUZZ_CHECK(pw_state_copy(&copy, state, arena, &err) == PAWL_OK);
}

/* One event at the state; what comes of it must be readable, and is given back; NULL: nothing came
 * of it. */
static pw_state *one_step(const pw_state *state, const pw_event *event, const pw_payload_list *kept,
                          branch_rows *rows, pw_arena *arena)
{
    pw_transition t;
    pawl_error err = { .code = PAWL_OK };
    pawl_code code =
        pw_core_step(&t, program, state, &identity, event, &settings, machine, arena, &err);
    FUZZ_CHECK(code == PAWL_OK || code == PAWL_CORRUPT || code == PAWL_INVALID);
    if (code != PAWL_OK || !t.changed)
        return NULL;
    for (size_t i = 0; i < t.call_count; i++) /* the store has the request, or is given it */
        FUZZ_CHECK(t.calls[i].again == (t.calls[i].request.len == 0));
    FUZZ_CHECK(!t.fault || pw_state_has_incident(t.state));
    FUZZ_CHECK(!t.resolution.len || pw_state_has_incident(state));
    FUZZ_CHECK(pw_state_has_incident(t.state) ==
               (t.fault || (pw_state_has_incident(state) && !t.resolution.len)));
    for (size_t i = 0; i < t.subscription_count; i++) { /* what others will look at messages by */
        pw_match *match;
        FUZZ_CHECK(pw_match_new(&match, &t.subscriptions[i].matcher, &err) == PAWL_OK);
        FUZZ_CHECK(t.subscriptions[i].hash.len == 64);
        pw_match_free(match);
    }
    pw_state *next = NULL;
    pw_payload_list all = { 0 };
    fuzz_keep(&all, kept->items, kept->count, arena);
    fuzz_keep(&all, t.payloads, t.payload_count, arena);
    const pw_payload_source payloads = fuzz_payloads(&all);
    FUZZ_CHECK(branch_rows_apply(rows, &t, arena));
    code = pw_state_parse_branches(&next, t.state_text, branch_rows_text(rows, arena), program,
                                   &payloads, arena, &err);
    if (code != PAWL_OK)
        (void)fprintf(stderr, "%s: %s\n" PW_FMT "\n", pw_event_name(event->kind), err.message,
                      PW_ARG(t.state_text));
    FUZZ_CHECK(code == PAWL_OK);
    FUZZ_CHECK(pw_state_status(next) == t.status);
    FUZZ_CHECK(pw_state_timer(next, &settings) == t.timer_at);
    FUZZ_CHECK(pw_state_has_incident(next) == pw_state_has_incident(t.state));
    return next;
}

/* What the store has of a compensation plan, if it is asked for. */
static pw_event plan_of(const pw_state *state, const pw_event *like, pw_undo_step *rows)
{
    pw_event event = *like;
    pw_plan_wanted wanted;
    event.kind = PW_EVENT_PLAN;
    event.plan = rows;
    if (!pw_state_plan_wanted(&wanted, state))
        return event;
    event.visit = wanted.visit;
    event.number = wanted.below;
    event.plan_ends = true;
    const pw_undo_step of = { .task = PW_LIT("/do/15/done"),
                              .key = PW_LIT("k"),
                              .arguments = PW_LIT("{\"n\":1}") };
    for (uint64_t at = wanted.below;
         at-- > 1 && event.plan_count < wanted.most && event.plan_count < 3;) {
        pw_undo_step *row = &rows[event.plan_count++];
        *row = of;
        row->ordinal = at;
        row->visit = at;
        row->branch = at % 2 ? PW_LIT("4.0") : PW_LIT("4.1");
        row->state = at % 3 ? PW_UNDO_REGISTERED : PW_UNDO_UNKNOWN;
    }
    return event;
}

/* And what an operator may do then. */
static void step(const pw_state *state, const pw_event *event, const pw_payload_list *kept,
                 branch_rows rows, pw_arena *arena)
{
    static const pw_event_kind kinds[] = { PW_EVENT_RETRY, PW_EVENT_FAIL, PW_EVENT_TIMER,
                                           PW_EVENT_SKIP, PW_EVENT_COMPENSATE };
    const pw_state *next = one_step(state, event, kept, &rows, arena);
    pw_undo_step found[3];
    if (next) {
        const pw_event plan = plan_of(next, event, found);
        branch_rows own = rows;
        (void)one_step(next, &plan, kept, &own, arena);
    }
    for (size_t i = 0; i < PW_LENGTH(kinds) && next; i++) {
        pw_event command = *event;
        command.kind = kinds[i];
        branch_rows own = rows;
        (void)one_step(next, &command, kept, &own, arena);
    }
}

/* ------------------------------------------------------------------ lines */

enum { LINES_MAX = 10 };

/* A line with the names of the payloads in it, which are read from behind. */
static pw_str with_names(pw_str line, const pw_payload_list *kept, pw_arena *arena)
{
    static const char mark[] = "\"$payload\":\"";
    pw_buf buf;
    pw_buf_init(&buf, 0);
    while (line.len) {
        const char *at = memmem(line.ptr, line.len, mark, sizeof mark - 1);
        size_t plain = at ? (size_t)(at - line.ptr) + sizeof mark - 1 : line.len;
        pw_buf_add(&buf, line.ptr, plain);
        line = (pw_str){ line.ptr + plain, line.len - plain };
        if (!at || line.len < 2 || line.ptr[1] != '"' || line.ptr[0] < '1' || line.ptr[0] > '9')
            continue;
        size_t behind = (size_t)(line.ptr[0] - '0');
        if (behind > kept->count)
            continue;
        pw_buf_str(&buf, kept->items[kept->count - behind].digest);
        line = (pw_str){ line.ptr + 1, line.len - 1 };
    }
    pw_str text = pw_arena_str(arena, pw_buf_view(&buf));
    pw_buf_done(&buf);
    FUZZ_CHECK(text.ptr != NULL);
    return text;
}

/* The state, the rows and the payloads behind it. */
static pw_str read_lines(pw_str input, pw_str *branches, pw_payload_list *kept, pw_arena *arena)
{
    pw_str lines[LINES_MAX];
    size_t count = 0;
    while (count < LINES_MAX) {
        const char *end = input.len ? memchr(input.ptr, '\n', input.len) : NULL;
        bool last = !end || count == LINES_MAX - 1;
        lines[count] = (pw_str){ input.ptr, last ? input.len : (size_t)(end - input.ptr) };
        input = last ? (pw_str){ "", 0 } : (pw_str){ end + 1, input.len - lines[count].len - 1 };
        count++;
        if (last)
            break;
    }
    size_t first = count > 1 && lines[1].len > 1 && memcmp(lines[1].ptr, "[[", 2) == 0 ? 2 : 1;
    for (size_t i = count; i-- > first;) {
        pw_payload payload = { .text = with_names(lines[i], kept, arena) };
        char hex[PW_DIGEST_HEX_SIZE];
        pw_digest digest = pw_digest_of_text(payload.text);
        pw_digest_hex(hex, &digest);
        payload.digest = pw_arena_str(arena, pw_str_of(hex));
        fuzz_keep(kept, &payload, 1, arena);
    }
    if (first == 2)
        *branches = with_names(lines[1], kept, arena);
    return with_names(lines[0], kept, arena);
}

/* The rows of a text that was read; what is none of them was not looked at. */
static branch_rows rows_of(pw_str text, pw_arena *arena)
{
    branch_rows rows = { 0 };
    pw_value all;
    if (text.len == 0)
        return rows;
    FUZZ_CHECK(pw_json_parse(&all, text, NULL, arena, NULL) == PAWL_OK);
    if (!pw_is(all, PW_ARRAY))
        return rows;
    rows.items = pw_arena_array(arena, all.count + 1, sizeof *rows.items);
    FUZZ_CHECK(rows.items != NULL);
    for (uint32_t i = 0; i < all.count; i++) {
        int64_t fork, number;
        if (!pw_integer(pw_item(pw_item(all, i), 0), &fork) ||
            !pw_integer(pw_item(pw_item(all, i), 1), &number) || fork < 1 || number < 0)
            continue;
        rows.items[rows.count++] =
            (pw_branch_row){ (uint64_t)fork, (uint32_t)number,
                             pw_json_text(arena, pw_item(pw_item(all, i), 2), PW_JSON_COMPACT) };
    }
    return rows;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const pw_event_kind kinds[] = { PW_EVENT_TIMER,
                                           PW_EVENT_CANCEL,
                                           PW_EVENT_DRIVE,
                                           PW_EVENT_RESUME,
                                           PW_EVENT_ACTIVITY_RESULT,
                                           PW_EVENT_ACTIVITY_LOST,
                                           PW_EVENT_CALL_RESULT,
                                           PW_EVENT_SUSPEND,
                                           PW_EVENT_CONTINUE,
                                           PW_EVENT_CLAIM,
                                           PW_EVENT_RELEASE,
                                           PW_EVENT_DELEGATE,
                                           PW_EVENT_COMMENT,
                                           PW_EVENT_CALL_LOST,
                                           PW_EVENT_RETRY,
                                           PW_EVENT_FAIL,
                                           PW_EVENT_SKIP,
                                           PW_EVENT_COMPENSATE };
    static const char *const tasks[] = { "/do/0/all", "/do/1/each/do/0/work", "/do/15/done",
                                         "/do/2/risky/catch/do/0/mend" };
    static const char *const patches[] = {
        "[{\"op\":\"replace\",\"path\":\"/context\",\"value\":{\"n\":[1]}}]",
        ("[{\"op\":\"copy\",\"from\":\"/input\",\"path\":\"/"
        "context\"},{\"op\":\"replace\",\"path\":\"/input\",\"value\":7}]"),
        "[{\"op\":\"remove\",\"path\":\"/input\"}]",
    };
    static const char *const messages[] = {
        "{\"type\":\"t\",\"id\":\"x\",\"data\":1}",
        "{\"type\":\"u\",\"id\":\"x\",\"source\":\"x\",\"data_base64\":\"AA==\"}",
        "{}",
        "1",
    };
    prepare();
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_state *state = NULL;
    pawl_error err = { .code = PAWL_OK };
    pw_payload_list kept = { 0 };
    const pw_payload_source payloads = fuzz_payloads(&kept);
    pw_str branches = { "", 0 }, text = read_lines(fuzz_text(data, size), &branches, &kept, &arena);
    pawl_code code =
        pw_state_parse_branches(&state, text, branches, program, &payloads, &arena, &err);
    if (code == PAWL_OK) {
        const branch_rows rows = rows_of(branches, &arena);
        pw_event event = { .now_ms = 1790000000000,
                           .seed = 7,
                           .payload = pw_int(1),
                           .reason = PW_LIT("because"),
                           .to = PW_LIT("bob"),
                           .call = { .answered = true, .status = 200, .body = PW_LIT("[1]") } };
        uint64_t listens = 0;
        ask(state, &arena, &event, &listens);
        int64_t timer = pw_state_timer(state, &settings);
        for (size_t i = 0; i < 2 * PW_LENGTH(kinds); i++) { /* of anybody, then of somebody */
            event.kind = kinds[i / 2];
            event.restricted = i % 2;
            event.actor = event.restricted ? PW_LIT("ann") : PW_LIT("");
            event.now_ms = timer > 1790000000000 ? timer : 1790000000000;
            event.until_ms = event.restricted ? event.now_ms + 1000 : -1;
            event.retry = event.restricted ? PW_RETRY_YES : PW_RETRY_NO;
            event.confirmed = event.restricted;
            step(state, &event, &kept, rows, &arena);
        }
        for (size_t i = 0; i < PW_LENGTH(tasks); i++) {
            event.kind = PW_EVENT_GOTO;
            event.task = pw_str_of(tasks[i]);
            step(state, &event, &kept, rows, &arena);
        }
        event.task = (pw_str){ 0 };
        for (size_t i = 0; i < PW_LENGTH(patches); i++) {
            event.kind = PW_EVENT_EDIT;
            FUZZ_CHECK(pw_json_parse(&event.payload, pw_str_of(patches[i]), NULL, &arena, &err) ==
                       PAWL_OK);
            step(state, &event, &kept, rows, &arena);
        }
        pw_undo_step found[3];
        const pw_event plan = plan_of(state, &event, found);
        step(state, &plan, &kept, rows, &arena);
        event.kind = PW_EVENT_RESUME; /* a person's answer that may fit, a timer, a listen */
        event.restricted = false;
        event.retry = PW_RETRY_NO;
        static const char *const answers[] = {
            "{\"n\":1}",
            "null",
            "{\"id\":\"x\",\"source\":\"x\",\"type\":\"t\",\"data\":1}",
            "{\"action\":\"skip\",\"output\":{\"n\":2},\"confirmed\":true}",
            "{\"action\":\"compensate\"}",
        };
        for (size_t i = 0; i < PW_LENGTH(answers); i++) {
            FUZZ_CHECK(pw_json_parse(&event.payload, pw_str_of(answers[i]), NULL, &arena, &err) ==
                       PAWL_OK);
            step(state, &event, &kept, rows, &arena);
        }
        event.payload = pw_int(1);
        event.kind = PW_EVENT_ACTIVITY_RESULT;
        event.retry = PW_RETRY_YES;
        event.error = pw_object_of(&arena, (pw_member[]){ { PW_LIT("status"), pw_int(500) } }, 1);
        step(state, &event, &kept, rows, &arena);
        event.kind = PW_EVENT_CALL_RESULT;
        event.call.status = 503;
        step(state, &event, &kept, rows, &arena);
        event.call = (pw_call_result){ .timed_out = true, .class_ = PW_CLASS_TIMEOUT };
        step(state, &event, &kept, rows, &arena);
        event.kind =
            PW_EVENT_CHILD_ENDED; /* with an error, then without; its visit and key by ask() */
        step(state, &event, &kept, rows, &arena);
        event.error = (pw_value){ 0 };
        step(state, &event, &kept, rows, &arena);
        event.kind = PW_EVENT_MESSAGE;
        event.visit = listens;
        event.number = 1;
        for (size_t i = 0; i < PW_LENGTH(messages); i++) {
            FUZZ_CHECK(pw_json_parse(&event.payload, pw_str_of(messages[i]), NULL, &arena, &err) ==
                       PAWL_OK);
            step(state, &event, &kept, rows, &arena);
        }
    } else {
        FUZZ_CHECK(code == PAWL_CORRUPT || code == PAWL_SCHEMA);
        FUZZ_CHECK(err.message[0] != '\0');
    }
    pw_arena_done(&arena);
    return 0;
}
