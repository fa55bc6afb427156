/* graph.c - `pawl graph`: a workflow as a graph, from the program that would run, so that what is
 * drawn is what the engine does.
 *
 * Each task is a node, a task with others inside is a group around them. An edge leads from where
 * a task is left to where the next one begins. Errors are drawn where the document names them: from
 * a `try` to its catch, from a `raise` to the nearest catch around it. What undoes a task, and who
 * is asked about its incident, stands beside it; of the whole workflow, beside the start. */
#include <stdio.h>
#include "engine/engine.h"
#include "engine/graph.h"
#include "base/cron.h"
#include "base/json.h"
#include "lang/lang.h"

typedef struct graph {
    pw_graph_writer writer;
    pw_arena arena; /* of texts that are put together */
    const pw_program *program;
} graph;

/* Where the ways of a list lead. */
typedef struct place {
    pw_list list;
    pw_graph_ref after;   /* where the list is left */
    pw_graph_ref catcher; /* where an error raised here goes */
    bool branches;        /* of a fork: each leads to `after` */
} place;

static const pw_graph_ref nowhere = { PW_GRAPH_NONE, 0 }, start_ref = { PW_GRAPH_START, 0 },
                          end_ref = { PW_GRAPH_END, 0 };

static void walk_list(graph *g, const place *at);

static pw_graph_ref entry_of(const pw_task *task)
{
    return (pw_graph_ref){ PW_GRAPH_ENTRY, task->index };
}

static pw_graph_ref first_of(pw_list list, pw_graph_ref otherwise)
{
    return list.count > 0 ? entry_of(list.tasks[0]) : otherwise;
}

static void edge(graph *g, pw_graph_ref from, pw_graph_ref to, pw_graph_edge_kind kind,
                 pw_str label)
{
    if (to.part != PW_GRAPH_NONE)
        pw_graph_edge_write(&g->writer, &(pw_graph_edge){ from, to, kind, PW_LIT(""), label });
}

static pw_graph_ref target_of(const place *at, const pw_task *task, pw_flow flow)
{
    uint32_t next = task->position + 1;
    switch (flow.kind) {
    case PW_FLOW_CONTINUE:
        return at->branches || next >= at->list.count ? at->after : entry_of(at->list.tasks[next]);
    case PW_FLOW_EXIT:
        return at->after;
    case PW_FLOW_END:
        return end_ref;
    case PW_FLOW_GOTO:
        return entry_of(at->list.tasks[flow.target]);
    }
    return at->after;
}

static void leave(graph *g, const place *at, const pw_task *task, pw_graph_ref from, pw_flow flow,
                  pw_graph_edge_kind kind)
{
    if (kind == PW_EDGE_NEXT && flow.kind != PW_FLOW_CONTINUE)
        kind = PW_EDGE_THEN;
    edge(g, from, target_of(at, task, flow), kind, PW_LIT(""));
}

/* ---- texts */

/* A string as it is, anything else as JSON; empty if it is absent. */
static pw_str written(graph *g, pw_value v)
{
    if (pw_is(v, PW_NONE))
        return PW_LIT("");
    if (pw_is(v, PW_STRING))
        return pw_text(v);
    pw_str text = pw_json_text(&g->arena, v, PW_JSON_COMPACT);
    return text.ptr ? text : PW_LIT("");
}

static pw_str joined(graph *g, pw_str a, const char *between, pw_str b)
{
    if (a.len == 0 || b.len == 0)
        return a.len == 0 ? b : a;
    pw_str text = pw_arena_printf(&g->arena, PW_FMT "%s" PW_FMT, PW_ARG(a), between, PW_ARG(b));
    return text.ptr ? text : PW_LIT("");
}

static pw_value inside(pw_value v, const char *a, const char *b)
{
    v = pw_get(v, pw_str_of(a));
    return b ? pw_get(v, pw_str_of(b)) : v;
}

/* "one order.paid", "any a, b until c": the types as written; a filter without one has its place.
 */
static pw_str listens_for(graph *g, pw_value to)
{
    static const char *const strategies[] = { "one", "any", "all" };
    pw_str text = PW_LIT("");
    for (size_t i = 0; i < PW_LENGTH(strategies); i++) {
        pw_value filters = inside(to, strategies[i], NULL);
        if (pw_is(filters, PW_NONE))
            continue;
        text = pw_str_of(strategies[i]);
        bool list = pw_is(filters, PW_ARRAY);
        size_t count = list ? filters.count : 1;
        for (size_t j = 0; j < count; j++) {
            pw_value filter = list ? pw_item(filters, j) : filters;
            pw_str type = written(g, inside(filter, "with", "type"));
            text = joined(g, text, j ? ", " : " ", type.len ? type : PW_LIT("a message"));
        }
        if (count == 0)
            text = PW_LIT("any message");
    }
    return text;
}

/* "every PT1H", "cron 0 9 * * * in Europe/Berlin", "on one order.paid" */
static pw_str schedule_of(graph *g, const pw_task *task)
{
    const pw_schedule *schedule = &task->as.schedule;
    pw_value d = task->definition;
    switch (schedule->kind) {
    case PW_SCHEDULE_EVERY:
        return joined(g, PW_LIT("every"), " ", written(g, inside(d, "every", NULL)));
    case PW_SCHEDULE_AFTER:
        return joined(g, PW_LIT("after"), " ", written(g, inside(d, "after", NULL)));
    case PW_SCHEDULE_CRON: {
        pw_str cron = joined(g, PW_LIT("cron"), " ", written(g, inside(d, "cron", NULL)));
        return joined(g, cron, " in ", pw_zone_name(schedule->cron->zone));
    }
    case PW_SCHEDULE_ON: {
        pw_value on = inside(d, "on", NULL), until = inside(on, "until", NULL);
        pw_str what = joined(g, PW_LIT("on"), " ", listens_for(g, on));
        return joined(g, what, " until ",
                      pw_is(until, PW_OBJECT) ? listens_for(g, until) : written(g, until));
    }
    }
    return PW_LIT("");
}

static pw_str detail_of(graph *g, const pw_task *task)
{
    pw_value d = task->definition, with = inside(d, "with", NULL);
    switch (task->kind) {
    case PW_TASK_DO:
    case PW_TASK_SET:
    case PW_TASK_SWITCH:
    case PW_TASK_TRY:
        return PW_LIT("");
    case PW_TASK_FORK:
        return task->as.fork.compete ? PW_LIT("the first one wins") : PW_LIT("");
    case PW_TASK_FOR: {
        pw_str each = joined(g, task->as.loop.each, " in ", written(g, inside(d, "for", "in")));
        return joined(g, each, " while ", written(g, inside(d, "while", NULL)));
    }
    case PW_TASK_RAISE: {
        pw_value error = inside(d, "raise", "error");
        return written(g, pw_is(error, PW_OBJECT) ? inside(error, "type", NULL) : error);
    }
    case PW_TASK_WAIT:
        return written(g, inside(d, "wait", NULL));
    case PW_TASK_EMIT:
        return written(g, inside(inside(d, "emit", "event"), "with", "type"));
    case PW_TASK_HTTP: {
        pw_value endpoint = inside(with, "endpoint", NULL);
        if (pw_is(endpoint, PW_OBJECT))
            endpoint = inside(endpoint, "uri", NULL);
        pw_str call = joined(g, PW_LIT("http"), " ", written(g, inside(with, "method", NULL)));
        return joined(g, call, " ", written(g, endpoint));
    }
    case PW_TASK_USER:
        return joined(g, PW_LIT("userTask"), " ", written(g, inside(with, "title", NULL)));
    case PW_TASK_RUN: {
        pw_str name = joined(g, task->as.run.namespace_, "/", task->as.run.name);
        pw_str what = joined(g, PW_LIT("workflow"), " ", name);
        return joined(g, what, " ", task->as.run.version);
    }
    case PW_TASK_LISTEN: {
        pw_value to = inside(d, "listen", "to"), until = inside(to, "until", NULL);
        return joined(g, listens_for(g, to), " until ",
                      pw_is(until, PW_OBJECT) ? listens_for(g, until) : written(g, until));
    }
    case PW_TASK_COMPENSATE:
        return written(g, inside(with, "scope", NULL));
    case PW_TASK_SCHEDULE:
        return schedule_of(g, task);
    case PW_TASK_FUNCTION:
    case PW_TASK_ACTIVITY:
        return task->as.call.name;
    }
    return PW_LIT("");
}

static pw_str kind_of(const pw_task *task)
{
    static const char *const kinds[] = {
        [PW_TASK_DO] = "do",
        [PW_TASK_SET] = "set",
        [PW_TASK_SWITCH] = "switch",
        [PW_TASK_FOR] = "for",
        [PW_TASK_FORK] = "fork",
        [PW_TASK_TRY] = "try",
        [PW_TASK_RAISE] = "raise",
        [PW_TASK_WAIT] = "wait",
        [PW_TASK_EMIT] = "emit",
        [PW_TASK_HTTP] = "call",
        [PW_TASK_USER] = "call",
        [PW_TASK_FUNCTION] = "call",
        [PW_TASK_ACTIVITY] = "call",
        [PW_TASK_LISTEN] = "listen",
        [PW_TASK_RUN] = "run",
        [PW_TASK_SCHEDULE] = "schedule",
        [PW_TASK_COMPENSATE] = "compensate",
    };
    return pw_str_of(kinds[task->kind]);
}

static void node(graph *g, const pw_task *task)
{
    const pw_graph_node n = { .ref = entry_of(task),
                              .name = task->name,
                              .kind = kind_of(task),
                              .detail = detail_of(g, task),
                              .condition = written(g, inside(task->definition, "if", NULL)),
                              .pointer = task->pointer };
    pw_graph_node_write(&g->writer, &n);
}

static pw_graph_ref exit_node(graph *g, const pw_task *task)
{
    const pw_graph_node n = { .ref = { PW_GRAPH_EXIT, task->index },
                              .kind = PW_LIT("exit"),
                              .pointer = task->pointer };
    pw_graph_node_write(&g->writer, &n);
    return n.ref;
}

/* ---- tasks */

static void walk_switch(graph *g, const pw_task *task, const place *at)
{
    bool has_default = false;
    pw_value cases = inside(task->definition, "switch", NULL);
    for (uint32_t i = 0; i < task->as.choice.count; i++) {
        const pw_case *c = &task->as.choice.cases[i];
        pw_value when = inside(pw_get(pw_item(cases, i), c->name), "when", NULL);
        has_default = has_default || !c->when;
        pw_graph_edge_write(&g->writer,
                            &(pw_graph_edge){ entry_of(task), target_of(at, task, c->then),
                                              PW_EDGE_CASE, c->name, written(g, when) });
    }
    if (!has_default)
        leave(g, at, task, entry_of(task), task->then, PW_EDGE_OTHERWISE);
}

/* A loop: `for`, or what a listen does with each message. */
static void walk_loop(graph *g, const pw_task *task, pw_list list, const place *at)
{
    const place body = { list, entry_of(task), at->catcher, false };
    edge(g, entry_of(task), first_of(body.list, entry_of(task)), PW_EDGE_LOOP, PW_LIT(""));
    walk_list(g, &body);
    leave(g, at, task, entry_of(task), task->then, PW_EDGE_DONE);
}

static void walk_fork(graph *g, const pw_task *task, const place *at)
{
    const place branches = {
        task->as.fork.branches, { PW_GRAPH_EXIT, task->index }, at->catcher, true
    };
    for (uint32_t i = 0; i < branches.list.count; i++)
        edge(g, entry_of(task), entry_of(branches.list.tasks[i]), PW_EDGE_BRANCH, PW_LIT(""));
    walk_list(g, &branches);
    leave(g, at, task, exit_node(g, task), task->then, PW_EDGE_NEXT);
}

static void walk_do(graph *g, const pw_task *task, const place *at)
{
    const place body = { task->as.body, { PW_GRAPH_EXIT, task->index }, at->catcher, false };
    edge(g, entry_of(task), first_of(body.list, body.after), PW_EDGE_NEXT, PW_LIT(""));
    walk_list(g, &body);
    leave(g, at, task, exit_node(g, task), task->then, PW_EDGE_NEXT);
}

static void catch_node(graph *g, const pw_task *task)
{
    pw_value clause = inside(task->definition, "catch", NULL);
    pw_str with = written(g, inside(clause, "errors", "with"));
    pw_str when = joined(g, with, " when ", written(g, inside(clause, "when", NULL)));
    const pw_graph_node n = {
        .ref = { PW_GRAPH_CATCH, task->index },
        .kind = PW_LIT("catch"),
        .detail = joined(g, when, " except when ", written(g, inside(clause, "exceptWhen", NULL))),
        .pointer = task->pointer,
    };
    pw_graph_node_write(&g->writer, &n);
}

static pw_str retry_label(graph *g, const pw_task *task)
{
    pw_value policy = inside(task->definition, "catch", "retry");
    uint32_t count = task->as.attempt.retry->count;
    pw_str label = count == PW_RETRY_UNLIMITED
                       ? PW_LIT("retry")
                       : pw_arena_printf(&g->arena, "retry (at most %u)", count);
    return pw_is(policy, PW_STRING) ? joined(g, label, ": ", pw_text(policy)) : label;
}

static void walk_try(graph *g, const pw_task *task, const place *at)
{
    const pw_graph_ref caught = { PW_GRAPH_CATCH, task->index },
                       out = { PW_GRAPH_EXIT, task->index };
    const place body = { task->as.attempt.body, out, caught, false };
    pw_graph_ref behind = out;
    if (task->as.attempt.has_then)
        behind = target_of(at, task, task->as.attempt.then);
    const place handler = { task->as.attempt.handler, behind, at->catcher, false };

    edge(g, entry_of(task), first_of(body.list, out), PW_EDGE_NEXT, PW_LIT(""));
    pw_graph_open(&g->writer, task, "try");
    walk_list(g, &body);
    pw_graph_close(&g->writer);
    catch_node(g, task);
    edge(g, entry_of(task), caught, PW_EDGE_ERROR, PW_LIT(""));
    if (task->as.attempt.retry)
        edge(g, caught, entry_of(task), PW_EDGE_RETRY, retry_label(g, task));
    if (task->as.attempt.has_handler) {
        edge(g, caught, first_of(handler.list, behind), PW_EDGE_CAUGHT, PW_LIT(""));
        pw_graph_open(&g->writer, task, "catch");
        walk_list(g, &handler);
        pw_graph_close(&g->writer);
    } else if (task->as.attempt.retry) {
        edge(g, caught, at->catcher, PW_EDGE_ERROR, PW_LIT("")); /* raised again */
    } else {
        edge(g, caught, behind, PW_EDGE_CAUGHT, PW_LIT(""));
    }
    leave(g, at, task, exit_node(g, task), task->then, PW_EDGE_NEXT);
}

/* What stands in the metadata of a task: how it is undone, and who is asked when it ends in an
 * incident. */
static void walk_beside(graph *g, const pw_task *beside, pw_graph_ref from, pw_graph_edge_kind kind)
{
    node(g, beside);
    edge(g, from, entry_of(beside), kind, PW_LIT(""));
    if (beside->kind == PW_TASK_FUNCTION)
        edge(g, entry_of(beside), entry_of(beside->as.call.body), PW_EDGE_CALL, PW_LIT(""));
}

static void walk_task(graph *g, const pw_task *task, const place *at)
{
    bool group = task->kind == PW_TASK_DO || task->kind == PW_TASK_FOR ||
                 task->kind == PW_TASK_FORK || task->kind == PW_TASK_TRY ||
                 (task->kind == PW_TASK_LISTEN && task->as.listen.body.count > 0);
    if (group)
        pw_graph_open(&g->writer, task, NULL);
    node(g, task);
    switch (task->kind) {
    case PW_TASK_DO:
        walk_do(g, task, at);
        break;
    case PW_TASK_FOR:
        walk_loop(g, task, task->as.loop.body, at);
        break;
    case PW_TASK_FORK:
        walk_fork(g, task, at);
        break;
    case PW_TASK_TRY:
        walk_try(g, task, at);
        break;
    case PW_TASK_LISTEN:
        if (group)
            walk_loop(g, task, task->as.listen.body, at);
        else
            leave(g, at, task, entry_of(task), task->then, PW_EDGE_NEXT);
        break;
    case PW_TASK_SWITCH:
        walk_switch(g, task, at);
        break;
    case PW_TASK_RAISE:
        edge(g, entry_of(task), at->catcher, PW_EDGE_ERROR, PW_LIT(""));
        break;
    case PW_TASK_FUNCTION:
        edge(g, entry_of(task), entry_of(task->as.call.body), PW_EDGE_CALL, PW_LIT(""));
        leave(g, at, task, entry_of(task), task->then, PW_EDGE_NEXT);
        break;
    case PW_TASK_SET:
    case PW_TASK_WAIT:
    case PW_TASK_EMIT:
    case PW_TASK_HTTP:
    case PW_TASK_USER:
    case PW_TASK_RUN:
    case PW_TASK_ACTIVITY:
    case PW_TASK_COMPENSATE:
        leave(g, at, task, entry_of(task), task->then, PW_EDGE_NEXT);
        break;
    case PW_TASK_SCHEDULE: /* stands in no list */
        break;
    }
    if (task->undo)
        walk_beside(g, task->undo->task, entry_of(task), PW_EDGE_UNDO);
    if (task->on_fault)
        walk_beside(g, task->on_fault, entry_of(task), PW_EDGE_FAULT);
    if (group)
        pw_graph_close(&g->writer);
    pw_flow skipped = { .kind = PW_FLOW_CONTINUE };
    if (task->condition && (task->kind == PW_TASK_SWITCH || task->kind == PW_TASK_RAISE ||
                            task->then.kind != PW_FLOW_CONTINUE))
        leave(g, at, task, entry_of(task), skipped, PW_EDGE_SKIP);
}

/* Recursion is bounded by PW_NESTING_MAX. */
static void walk_list(graph *g, const place *at)
{
    for (uint32_t i = 0; i < at->list.count; i++)
        walk_task(g, at->list.tasks[i], at);
}

static void special_node(graph *g, pw_graph_ref ref, pw_str kind)
{
    const pw_graph_node n = { .ref = ref, .kind = kind, .name = kind };
    pw_graph_node_write(&g->writer, &n);
}

static void walk_program(graph *g)
{
    const pw_program *program = g->program;
    const place body = { program->body, end_ref, end_ref, false };
    if (program->schedule.count) {
        node(g, program->schedule.tasks[0]);
        edge(g, entry_of(program->schedule.tasks[0]), start_ref, PW_EDGE_NEXT, PW_LIT(""));
    }
    special_node(g, start_ref, PW_LIT("start"));
    edge(g, start_ref, first_of(body.list, end_ref), PW_EDGE_NEXT, PW_LIT(""));
    walk_list(g, &body);
    special_node(g, end_ref, PW_LIT("end"));
    if (program->on_fault)
        walk_beside(g, program->on_fault, start_ref, PW_EDGE_FAULT);
    /* functions of the document stand before its `do`: one level below "/use/functions" */
    for (uint32_t i = 0; i < program->task_count; i++) {
        const pw_task *task = program->tasks[i];
        pw_str prefix = PW_LIT("/use/functions/");
        if (!pw_str_starts(task->pointer, prefix))
            break;
        if (memchr(task->pointer.ptr + prefix.len, '/', task->pointer.len - prefix.len))
            continue; /* inside of one */
        const pw_task *one[] = { task };
        walk_list(g, &(place){ { one, 1 }, nowhere, nowhere, true });
    }
}

pawl_code pw_graph_of(char **out, const pw_program *program, pawl_graph_format format,
                      pawl_error *err)
{
    graph g = { .program = program };
    pw_arena_init(&g.arena, 0);
    pw_graph_begin(&g.writer, format);
    walk_program(&g);
    char *text = g.arena.failed ? NULL : pw_graph_end(&g.writer, program);
    pw_graph_done(&g.writer);
    pw_arena_done(&g.arena);
    if (!text)
        return pw_no_memory(err);
    *out = text;
    return PAWL_OK;
}
