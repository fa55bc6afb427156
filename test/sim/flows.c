/* flows.c - workflows, drawn from the seed: every kind of task there is, nested, with timeouts,
 * errors that are caught or not, and jumps. They are written as text and deployed, in JSON or YAML,
 * so the language is played too.
 *
 * The data is an object throughout. Loops are bounded and waits short: whatever is drawn comes to
 * its end by itself, or waits for a person. */
#include "sim.h"
#include "base/json.h"
#include "core/core.h"

enum { DEPTH_MAX = 4, TASKS_MAX = 400 };

sim_flow sim_flows[SIM_FLOWS_MAX];
uint32_t sim_flow_count;

/* What is said of the task tN. */
static sim_said said[SIM_FLOWS_MAX][TASKS_MAX];

typedef struct writer {
    pw_buf out;
    uint32_t left;          /* tasks that may still be drawn */
    uint32_t names;         /* given so far: each is used once */
    bool in_handler;        /* of a catch: $error is there */
    uint32_t number, count; /* of the document, of all documents */
    uint32_t runs;          /* that may still be drawn: each may be in loops and retries */
    bool undoes;            /* some of its tasks can be undone */
} writer;

static uint64_t draw(uint64_t n)
{
    return sim_below(SIM_FLOW, n);
}

static void text(writer *w, const char *s)
{
    pw_buf_text(&w->out, s);
}

static void put_list(writer *w, uint32_t depth);

/* ------------------------------------------------------------------ parts of tasks */

static const char *const statuses[] = { "400", "404", "429", "500", "503" };

static void put_duration(writer *w)
{
    static const uint32_t most_ms[] = { 20, 1000, 10000, 60000 };
    pw_buf_printf(&w->out, "{\"milliseconds\":%llu}",
                  (unsigned long long)(1 + draw(most_ms[draw(PW_LENGTH(most_ms))])));
}

static sim_said *said_of(writer *w) /* of the last task */
{
    return &said[w->number][w->names < TASKS_MAX ? w->names : 0];
}

static void put_resilience(writer *w, bool http)
{
    static const char *const unknown[] = { "resend", "ask", "fault" };
    sim_said *its = said_of(w);
    text(w, "\"resilience\":{");
    if (draw(2)) {
        its->retries = (int32_t)draw(4);
        pw_buf_printf(&w->out, "\"retry\":{\"delay\":{\"milliseconds\":%llu},\"backoff\":{\"constant\":{}},"
                               "\"limit\":{\"attempt\":{\"count\":%d}}},",
                      (unsigned long long)draw(4000), (int)its->retries);
    }
    if (http && draw(2)) {
        its->on_unknown = (pw_on_unknown)(PW_ON_UNKNOWN_RESEND + draw(3));
        pw_buf_printf(&w->out, "\"onUnknownOutcome\":\"%s\",", unknown[its->on_unknown - PW_ON_UNKNOWN_RESEND]);
    }
    if (http && draw(2))
        pw_buf_printf(&w->out, "\"circuitBreaker\":{\"name\":\"shared%llu\",\"failures\":2,\"minimumThroughput\":2,"
                               "\"window\":{\"seconds\":20},\"breakDuration\":{\"seconds\":%llu},\"onOpen\":\"%s\"},",
                      (unsigned long long)draw(2), (unsigned long long)(1 + draw(9)), draw(3) ? "wait" : "fail");
    if (http && draw(4) == 0)
        text(w, "\"bulkhead\":{\"maxConcurrent\":1},");
    if (http && draw(4) == 0)
        text(w, "\"rateLimit\":2,");
    text(w, "\"timeout\":");
    put_duration(w);
    text(w, "}");
}

static const char *const undo_arguments[] = {
    "${ {undo: .got} }", "${ {undo: $input.n, was: $output} }", "${ {n: (.n | tostring)} }",
    "${ {n: (.nothing.at | length)} }", "${ {n: error(\\\"none\\\")} }", /* the last is none */
};

/* What undoes the last task. */
static void put_undo(writer *w)
{
    static const char *const when[] = { "ask", "run", "skip" };
    const char *arguments = undo_arguments[draw(draw(12) ? 4 : PW_LENGTH(undo_arguments))];
    sim_said *its = said_of(w);
    uint64_t how = draw(8);
    its->undo = true;
    text(w, "\"compensate\":{");
    if (draw(8) == 0) {
        its->undo_if = true;
        text(w, "\"if\":\"($input.n // 0) < 4\",");
    }
    if (how < 5)
        pw_buf_printf(&w->out,
                      "\"call\":\"http\",\"with\":{\"method\":\"%s\",\"endpoint\":\"http://service%llu.test/undo\","
                      "\"body\":\"%s\"}",
                      draw(2) ? "post" : "delete", (unsigned long long)draw(3), arguments);
    else if (how < 6)
        pw_buf_printf(&w->out, "\"call\":\"%s\",\"with\":{\"n\":\"%s\"}", sim_activities[draw(sim_activity_count)].name,
                      arguments);
    else if (how < 7)
        pw_buf_printf(&w->out, "\"emit\":{\"event\":{\"with\":{\"type\":\"test.undone\",\"data\":\"%s\"}}}", arguments);
    else
        pw_buf_printf(&w->out, "\"call\":\"userTask\",\"with\":{\"title\":\"undo\",\"data\":\"%s\"}", arguments);
    text(w, ",\"metadata\":{\"pawl\":{");
    its->undo_optional = draw(4) == 0;
    pw_buf_printf(&w->out, "\"required\":%s,\"whenUnknown\":\"%s\"}}}", its->undo_optional ? "false" : "true",
                  when[draw(PW_LENGTH(when))]);
}

static void put_on_fault(writer *w)
{
    static const char *const actions[] = { "\"retry\"", "\"skip\",\"retry\"", "\"fail\",\"skip\"", "\"fail\"" };
    text(w, "\"onFault\":{\"call\":\"userTask\",\"with\":{\"title\":\"mend\"}");
    if (draw(2))
        pw_buf_printf(&w->out, ",\"metadata\":{\"pawl\":{\"actions\":[%s]}}", actions[draw(PW_LENGTH(actions))]);
    text(w, "}");
}

/* Of the last task: most say nothing. */
static void put_metadata(writer *w, bool resilience, bool http)
{
    bool resilient = draw(2) && resilience, undone = w->undoes && draw(3), asked = draw(20) == 0;
    if (!resilient && !undone && !asked)
        return;
    text(w, "\"metadata\":{\"pawl\":{");
    if (resilient)
        put_resilience(w, http);
    text(w, resilient && undone ? "," : "");
    if (undone)
        put_undo(w);
    text(w, (resilient || undone) && asked ? "," : "");
    if (asked)
        put_on_fault(w);
    text(w, "}},");
}

static void put_call(writer *w)
{
    static const char *const methods[] = { "post", "put", "get" };
    put_metadata(w, true, true);
    uint64_t method = draw(PW_LENGTH(methods));
    pw_buf_printf(&w->out,
                  "\"call\":\"http\",\"with\":{\"method\":\"%s\","
                  "\"endpoint\":\"http://service%llu.test/%llu\"",
                  methods[method], (unsigned long long)draw(3), (unsigned long long)draw(9));
    if (method < 2)
        text(w, ",\"body\":\"${ {n: .n, who: $workflow.id} }\"");
    if (draw(4) == 0)
        text(w, ",\"headers\":{\"X-N\":\"${ \\\"\\\\(.n)\\\" }\"}");
    text(w, "},\"output\":{\"as\":\"${ $input + {got: .value} }\"}");
}

static void put_function(writer *w)
{
    size_t which = draw(sim_activity_count + sim_job_count);
    put_metadata(w, true, false);
    pw_buf_printf(&w->out,
                  "\"call\":\"%s\",\"with\":{\"n\":\"${ .n }\"},"
                  "\"output\":{\"as\":\"${ $input + {made: .weight} }\"}",
                  which < sim_activity_count ? sim_activities[which].name
                                             : sim_jobs[which - sim_activity_count]);
}

static void put_person(writer *w)
{
    put_metadata(w, false, false);
    text(w, "\"call\":\"userTask\",\"with\":{\"title\":\"decide\"");
    if (draw(2)) /* else the engine makes a key of task and visit */
        pw_buf_printf(&w->out, ",\"key\":\"%s%llu\"", draw(3) ? "k" : "same",
                      (unsigned long long)draw(4));
    text(w, "},\"output\":{\"as\":\"${ $input + {said: .answer} }\"}");
}

static void put_set(writer *w)
{
    /* now and then enough to become a payload, and more than an instance's memory likes to keep */
    text(w, draw(15)
                ? "\"set\":\"${ . + {n: ((.n // 0) + 1)} }\""
                : "\"set\":\"${ . + {n: ((.n // 0) + 1), pad: (\\\"0123456789\\\" * 1700)} }\"");
}

static void put_emit(writer *w)
{
    put_metadata(w, false, false);
    text(w,
         "\"emit\":{\"event\":{\"with\":{\"type\":\"test.happened\",\"data\":\"${ {n: .n} }\"}}},"
         "\"output\":{\"as\":\"${ $input }\"}");
}

static void put_raise(writer *w)
{
    if (w->in_handler && draw(2)) {
        text(w, "\"raise\":{\"error\":\"${ $error }\"}");
        return;
    }
    pw_buf_printf(&w->out,
                  "\"raise\":{\"error\":{\"type\":\"https://example.com/%llu\",\"status\":%s}}",
                  (unsigned long long)draw(3), statuses[draw(PW_LENGTH(statuses))]);
}

static void put_wait(writer *w)
{
    text(w, "\"wait\":");
    if (draw(20))
        put_duration(w);
    else /* beyond the window of timers in memory */
        text(w, "{\"minutes\":6}");
}

/* Another workflow, of a higher number; now and then one that is not there. */
static void put_run(writer *w)
{
    if (w->runs == 0 || w->number + 1 >= w->count) {
        put_set(w);
        return;
    }
    w->runs--;
    uint64_t flow = w->number + 1 + draw(w->count - w->number - 1);
    if (draw(12) == 0)
        flow = 9;
    bool await = draw(4) != 0;
    pw_buf_printf(&w->out,
                  "\"run\":{\"workflow\":{\"namespace\":\"sim\",\"name\":\"flow%llu\","
                  "\"version\":\"%s\"",
                  (unsigned long long)flow, draw(2) ? "latest" : "1.0.0");
    if (draw(2))
        text(w, ",\"input\":{\"n\":\"${ .n }\"}");
    text(w, await ? "}}," : "},\"await\":false},");
    if (await && draw(4) == 0)
        text(w, "\"metadata\":{\"pawl\":{\"parentClose\":\"leave\"}},");
    text(w, "\"output\":{\"as\":\"${ $input + {sub: .n} }\"}");
}

/* All that was done, or what was done in one of the tasks. */
static void put_compensate(writer *w)
{
    if (!w->undoes) {
        put_set(w);
        return;
    }
    said_of(w)->compensates = true;
    text(w, "\"call\":\"compensate\"");
    if (draw(3))
        pw_buf_printf(&w->out, ",\"with\":{\"scope\":\"t%llu\"}", (unsigned long long)(1 + draw(w->names)));
    text(w, ",\"output\":{\"as\":\"${ $input + {undone: .done} }\"}");
}

static void put_switch(writer *w)
{
    static const char *const where[] = { "continue", "exit", "end", "continue", "continue" };
    pw_buf_printf(&w->out,
                  "\"switch\":[{\"a\":{\"when\":\"(.n // 0) %% %llu == 0\",\"then\":\"%s\"}},"
                  "{\"b\":{\"then\":\"%s\"}}]",
                  (unsigned long long)(2 + draw(3)), where[draw(PW_LENGTH(where))],
                  where[draw(20) ? 0 : 1 + draw(2)]);
}

/* Of one message: what all instances look for, or what only this one does. */
static void put_filter(writer *w)
{
    pw_buf_printf(&w->out, "{\"with\":{\"type\":\"m%llu\"", (unsigned long long)draw(3));
    if (draw(3) == 0)
        pw_buf_printf(&w->out, ",\"subject\":\"s%llu\"", (unsigned long long)draw(2));
    else if (draw(3) == 0)
        pw_buf_printf(&w->out, ",\"data\":\"${ .v %% 3 == %llu }\"", (unsigned long long)draw(3));
    else if (draw(3) == 0)
        text(w, ",\"data\":\"${ .v % 3 == ($input.n // 0) % 3 }\"");
    else if (draw(3) == 0)
        text(w, ",\"subject\":\"${ \\\"s\\\" + (($input.n // 0) % 2 | tostring) }\"");
    text(w, "}}");
}

static void put_listen(writer *w)
{
    uint64_t kind = draw(6), filters = kind == 0 ? 1 : 1 + draw(2);
    text(w, kind == 0   ? "\"listen\":{\"to\":{\"one\":"
            : kind == 1 ? "\"listen\":{\"to\":{\"all\":["
                        : "\"listen\":{\"to\":{\"any\":[");
    for (uint64_t i = 0; i < filters; i++) {
        text(w, i ? "," : "");
        put_filter(w);
    }
    text(w, kind == 0 ? "" : "]");
    if (kind > 2) /* stays open */
        pw_buf_printf(&w->out, ",\"until\":\"${ length >= %llu }\"",
                      (unsigned long long)(1 + draw(4)));
    text(w, "}}");
    if (kind > 4) {
        text(w, ",\"foreach\":{\"item\":\"got\",\"do\":[{\"pause\":{\"wait\":");
        put_duration(w);
        text(w, "}}]}");
    }
    text(w, ",\"output\":{\"as\":\"${ $input + {heard: length} }\"}");
}

/* ------------------------------------------------------------------ tasks with tasks inside */

static void put_do(writer *w, uint32_t depth)
{
    text(w, "\"do\":");
    put_list(w, depth + 1);
}

static void put_for(writer *w, uint32_t depth)
{
    pw_buf_printf(&w->out, "\"for\":{\"each\":\"x\",\"in\":\"${ [range(%llu)] }\"},\"do\":",
                  (unsigned long long)draw(4));
    put_list(w, depth + 1);
}

static void put_task(writer *w, uint32_t depth);

static void put_fork(writer *w, uint32_t depth)
{
    uint64_t branches = draw(5) ? 2 + draw(2) : 8 + draw(3); /* from eight on they have rows */
    text(w, "\"fork\":{\"branches\":[");
    for (uint64_t i = 0; i < branches; i++) {
        text(w, i ? "," : "");
        put_task(w, depth + 1);
    }
    text(w, draw(3) ? "]" : "],\"compete\":true");
    text(w, "},\"output\":{\"as\":\"${ $input }\"}");
}

static void put_retry(writer *w)
{
    static const char *const backoffs[] = { "", ",\"backoff\":{\"exponential\":{}}",
                                            ",\"backoff\":{\"linear\":{}}",
                                            ",\"backoff\":{\"constant\":{}}" };
    text(w, ",\"retry\":{");
    if (draw(4)) {
        text(w, "\"delay\":");
        put_duration(w);
        text(w, backoffs[draw(PW_LENGTH(backoffs))]);
        if (draw(4) == 0)
            text(w, ",\"jitter\":{\"from\":{\"milliseconds\":0},\"to\":{\"milliseconds\":900}}");
        text(w, ",");
    }
    pw_buf_printf(&w->out, "\"limit\":{\"attempt\":{\"count\":%llu",
                  (unsigned long long)(1 + draw(4)));
    if (draw(4) == 0) {
        text(w, ",\"duration\":");
        put_duration(w);
    }
    text(w, "}}}");
}

static void put_try(writer *w, uint32_t depth)
{
    bool before = w->in_handler;
    text(w, "\"try\":");
    put_list(w, depth + 1);
    text(w, ",\"catch\":{\"as\":\"error\"");
    if (draw(4) == 0)
        pw_buf_printf(&w->out, ",\"errors\":{\"with\":{\"status\":%s}}",
                      statuses[draw(PW_LENGTH(statuses))]);
    if (draw(6) == 0)
        text(w, ",\"exceptWhen\":\"$error.status == 404\"");
    if (draw(3))
        put_retry(w);
    if (draw(2)) {
        w->in_handler = true;
        text(w, ",\"do\":");
        put_list(w, depth + 1);
        w->in_handler = before;
    }
    text(w, "}");
}

/* ------------------------------------------------------------------ a task, a list, a document */

static void put_body(writer *w, uint32_t depth)
{
    static void (*const leaves[])(writer *) = { put_call,   put_call, put_function, put_function,
                                                put_call,   put_call, put_function, put_call,
                                                put_person, put_set,  put_emit,     put_wait,
                                                put_switch, put_set,  put_wait,     put_listen,
                                                put_run,    put_run,  put_listen,   put_compensate,
                                                put_raise };
    static void (*const scopes[])(writer *, uint32_t) = { put_do,  put_for, put_fork,
                                                          put_try, put_try, put_fork };
    if (depth < DEPTH_MAX && w->left > 1 && draw(5) < 2)
        scopes[draw(PW_LENGTH(scopes))](w, depth);
    else
        leaves[draw(PW_LENGTH(leaves) - (draw(3) ? 1 : 0))](w);
}

static void put_task(writer *w, uint32_t depth)
{
    w->left -= w->left > 0;
    pw_buf_printf(&w->out, "{\"t%u\":{", ++w->names);
    if (draw(8) == 0)
        text(w, "\"if\":\"(.n // 0) < 3\",");
    put_body(w, depth);
    if (draw(7) == 0) {
        text(w, ",\"timeout\":{\"after\":");
        put_duration(w);
        text(w, "}");
    }
    text(w, "}}");
}

static void put_list(writer *w, uint32_t depth)
{
    uint64_t count = 1 + draw(depth == 0 ? 6 : 3);
    text(w, "[");
    for (uint64_t i = 0; i < count && (i == 0 || w->left > 0); i++) {
        text(w, i ? "," : "");
        put_task(w, depth);
    }
    /* back to the first task of the whole, a few times */
    if (depth == 0 && draw(4) == 0)
        text(w, ",{\"count\":{\"set\":\"${ . + {round: ((.round // 0) + 1)} }\"}},"
                "{\"again\":{\"switch\":[{\"more\":{\"when\":\".round < 3\",\"then\":\"t1\"}},"
                "{\"enough\":{\"then\":\"continue\"}}]}}");
    text(w, "]");
}

/* What undoes is begun by an error, by a cancellation, or only when somebody asks for it. */
static void put_document_metadata(writer *w)
{
    static const char *const triggers[] = { "", "\"faulted\"", "\"cancelled\"", "\"cancelled\",\"faulted\"" };
    const char *on = triggers[w->undoes ? draw(PW_LENGTH(triggers)) : 0];
    bool asked = draw(8) == 0;
    if (!on[0] && !asked)
        return;
    text(w, ",\"metadata\":{\"pawl\":{");
    if (on[0])
        pw_buf_printf(&w->out, "\"compensation\":{\"on\":[%s]}%s", on, asked ? "," : "");
    if (asked)
        put_on_fault(w);
    text(w, "}}");
}

static void put_document(writer *w, uint32_t number, uint32_t count, uint32_t tasks)
{
    w->left = tasks;
    w->number = number;
    w->count = count;
    w->runs = number == 0 ? 2 : 1;
    pw_buf_printf(&w->out,
                  "{\"document\":{\"dsl\":\"1.0.3\",\"namespace\":\"sim\",\"name\":\"flow%u\","
                  "\"version\":\"1.0.0\"",
                  number);
    w->undoes = draw(3) != 0;
    put_document_metadata(w);
    text(w, "},");
    if (draw(10) == 0)
        text(w, "\"timeout\":{\"after\":{\"seconds\":90}},");
    text(w, "\"do\":");
    put_list(w, 0);
    text(w, "}");
}

/* ------------------------------------------------------------------ YAML */

static void put_yaml(pw_buf *out, pw_value v, unsigned indent)
{
    if (pw_is(v, PW_OBJECT) && v.count) {
        const pw_member *members = pw_members(v);
        for (uint32_t i = 0; i < v.count; i++) {
            pw_buf_printf(out, "\n%*s" PW_FMT ":", (int)indent, "", PW_ARG(members[i].key));
            put_yaml(out, members[i].value, indent + 2);
        }
    } else if (pw_is(v, PW_ARRAY) && v.count) {
        for (uint32_t i = 0; i < v.count; i++) {
            pw_buf_printf(out, "\n%*s-", (int)indent, "");
            put_yaml(out, pw_item(v, i), indent + 2);
        }
    } else { /* a JSON scalar is one of YAML's too */
        pw_buf_char(out, ' ');
        pw_json_write(out, v, PW_JSON_COMPACT);
    }
}

static void to_yaml(pw_buf *json)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value v;
    pawl_error err;
    if (pw_json_parse(&v, pw_buf_view(json), NULL, &arena, &err) != PAWL_OK)
        sim_violation("the simulation writes a workflow that is no JSON: %s", err.message);
    pw_buf yaml;
    pw_buf_init(&yaml, 0);
    put_yaml(&yaml, v, 0);
    pw_buf_char(&yaml, '\n');
    pw_buf_done(json);
    *json = yaml;
    pw_arena_done(&arena);
}

void sim_flows_make(uint32_t count, uint32_t tasks)
{
    PW_ASSERT(count <= SIM_FLOWS_MAX);
    sim_flow_count = count;
    for (uint32_t i = 0; i < SIM_FLOWS_MAX; i++)
        for (uint32_t j = 0; j < TASKS_MAX; j++)
            said[i][j] = (sim_said){ .retries = -1, .on_unknown = sim_on_unknown };
    for (uint32_t i = 0; i < count; i++) {
        writer w = { .left = 0 };
        pw_buf_init(&w.out, 0);
        put_document(&w, i, count, tasks);
        sim_note("flow%u: " PW_FMT, i, PW_ARG(pw_buf_view(&w.out)));
        if (draw(2))
            to_yaml(&w.out);
        sim_flow *flow = &sim_flows[i];
        memcpy(flow->name, "flow0", 6);
        flow->name[4] = (char)('0' + i);
        flow->length = w.out.len;
        flow->text = pw_buf_take(&w.out);
        PW_ASSERT(flow->text != NULL);
    }
}

/* The pointer of a task ends with its name, tN. */
sim_said sim_flow_said(uint32_t flow, pw_str task)
{
    uint32_t number = 0, factor = 1;
    size_t at = task.len;
    for (; at > 0 && task.ptr[at - 1] >= '0' && task.ptr[at - 1] <= '9'; at--, factor *= 10)
        number += factor * (uint32_t)(task.ptr[at - 1] - '0');
    bool good = flow < SIM_FLOWS_MAX && at > 0 && task.ptr[at - 1] == 't' && number > 0 && number < TASKS_MAX;
    return good ? said[flow][number] : (sim_said){ .retries = -1, .on_unknown = sim_on_unknown };
}
