/* lint.c - what is no error and yet hardly meant: tasks that nothing leads to, and loops in which
 * nothing durable happens, so that only the limit of tasks in a step interrupts them.
 *
 * Works on the tasks, after they were compiled without an error. What is not certain is not said:
 * a task behind a `do` in which some way ends is reachable as long as some other way does not. */
#include "lang/lang_internal.h"

/* Tasks looked at in the search for loops: a document full of backward jumps must not take minutes.
 * Behind it no more loops are reported. */
#define LOOKED_AT_MAX 2000000u

/* One list of tasks, on its way to being known. */
typedef struct walk {
    pw_load *load;
    pw_list list;
    bool *passes;  /* by position: what stands in the task can be left normally */
    bool *pure;    /* ... nothing durable happens in it */
    bool *reached; /* ... by the search that is under way */
    uint32_t *todo;
    uint32_t todo_count;
    bool only_pure; /* the search goes through pure tasks only */
    bool completes; /* the search came to the end of the list, or to an `exit` */
} walk;

static bool check_list(pw_load *load, pw_list list, bool *pure);

/* ---- the ways out of a task */

static void reach(walk *w, uint32_t at)
{
    if (at == w->list.count) {
        w->completes = true;
    } else if (!w->reached[at] && (!w->only_pure || w->pure[at])) {
        w->reached[at] = true;
        w->todo[w->todo_count++] = at;
    }
}

static void go(walk *w, uint32_t at, pw_flow flow)
{
    switch (flow.kind) {
    case PW_FLOW_CONTINUE:
        reach(w, at + 1);
        break;
    case PW_FLOW_GOTO:
        reach(w, flow.target);
        break;
    case PW_FLOW_EXIT:
        w->completes = true;
        break;
    case PW_FLOW_END:
        break;
    }
}

/* Each way that leads on from the task is given to `way`. */
typedef void (*way_fn)(walk *w, uint32_t at, pw_flow flow);

static void each_way(walk *w, uint32_t at, way_fn way)
{
    const pw_task *task = w->list.tasks[at];
    if (task->condition)
        way(w, at, (pw_flow){ .kind = PW_FLOW_CONTINUE }); /* skipped: its `then` is not followed */
    if (task->kind == PW_TASK_SWITCH) {
        bool has_default = false;
        for (uint32_t i = 0; i < task->as.choice.count; i++) {
            way(w, at, task->as.choice.cases[i].then);
            has_default = has_default || !task->as.choice.cases[i].when;
        }
        if (has_default)
            return;
    }
    if (task->kind == PW_TASK_TRY && task->as.attempt.has_then)
        way(w, at, task->as.attempt.then);
    if (w->passes[at])
        way(w, at, task->then);
}

/* From `from` on, as far as the ways lead. */
static void search(walk *w, uint32_t from)
{
    memset(w->reached, 0, w->list.count * sizeof *w->reached);
    w->load->looked_at += w->list.count / 64; /* what this costs beside a task */
    w->completes = false;
    w->todo_count = 0;
    reach(w, from);
    while (w->todo_count > 0) {
        uint32_t at = w->todo[--w->todo_count];
        w->load->looked_at++;
        each_way(w, at, go);
    }
}

/* ---- loops */

static void check_way_back(walk *w, uint32_t at, pw_flow flow)
{
    if (flow.kind != PW_FLOW_GOTO || flow.target > at || !w->pure[at] || !w->pure[flow.target] ||
        w->load->looked_at >= LOOKED_AT_MAX)
        return;
    search(w, flow.target);
    if (!w->reached[at])
        return;
    pw_str shown = pw_lang_shown(w->load, w->list.tasks[flow.target]->name);
    pw_lang_report_task(w->load, PAWL_FINDING_LOOP, w->list.tasks[at],
                        "this goes back to '" PW_FMT
                        "', and nothing between the two waits, calls or emits: "
                        "make sure that the loop ends",
                        PW_ARG(shown));
}

static void check_loops(walk *w)
{
    w->only_pure = true;
    for (uint32_t i = 0; i < w->list.count; i++)
        each_way(w, i, check_way_back);
    w->only_pure = false;
}

/* ---- lists */

static bool check_inside(pw_load *load, const pw_task *task, bool *pure);

/* Branches begin all at once, so each is reached: its list is checked for what stands within. */
static void check_branches(pw_load *load, pw_list branches)
{
    bool pure;
    for (uint32_t i = 0; i < branches.count; i++)
        (void)check_inside(load, branches.tasks[i], &pure);
}

/* What stands in a task: whether it can be left normally, and whether it is pure. */
static bool check_inside(pw_load *load, const pw_task *task, bool *pure)
{
    bool passes = true, inner = true;
    *pure = false;
    switch (task->kind) {
    case PW_TASK_SET:
    case PW_TASK_SWITCH:
        *pure = true;
        break;
    case PW_TASK_RAISE:
        *pure = true;
        passes = false;
        break;
    case PW_TASK_DO:
        passes = check_list(load, task->as.body, pure);
        break;
    case PW_TASK_FOR:
        (void)check_list(load, task->as.loop.body, pure);
        if (task->as.loop.while_ && *pure)
            pw_lang_report_task(load, PAWL_FINDING_LOOP, task,
                                "nothing in this loop waits, calls or emits: make sure that its "
                                "'while' ends it");
        break;
    case PW_TASK_FORK:
        check_branches(load, task->as.fork.branches);
        break;
    case PW_TASK_TRY:
        passes = check_list(load, task->as.attempt.body, pure);
        *pure = *pure && !task->as.attempt.retry;
        if (task->as.attempt.has_handler) {
            bool handled = check_list(load, task->as.attempt.handler, &inner);
            passes = passes || (handled && !task->as.attempt.has_then);
            *pure = *pure && inner;
        } else {
            passes = passes || (!task->as.attempt.retry && !task->as.attempt.has_then);
        }
        break;
    case PW_TASK_LISTEN:
        (void)check_list(load, task->as.listen.body, &inner);
        passes = !task->as.listen.to.for_ever;
        break;
    case PW_TASK_WAIT:
    case PW_TASK_EMIT:
    case PW_TASK_HTTP:
    case PW_TASK_USER:
    case PW_TASK_FUNCTION:
    case PW_TASK_ACTIVITY:
    case PW_TASK_RUN:
    case PW_TASK_COMPENSATE:
    case PW_TASK_SCHEDULE:
        break;
    }
    return passes;
}

/* ---- what a listen gives */

/* The member that an expression begins with: "data" of `.data.x`. Empty: it begins otherwise. */
static pw_str first_member(pw_value v)
{
    pw_str source = pw_lang_unwrapped(pw_text(v));
    size_t len = 0;
    while (len + 1 < source.len && pw_is_name_byte(source.ptr[len + 1]))
        len++;
    return source.len && source.ptr[0] == '.' ? (pw_str){ source.ptr + 1, len } : (pw_str){ 0 };
}

static void report_as_object(pw_load *load, const pw_task *task, const pw_task *listen,
                             const char *member, const char *inner)
{
    pw_value holder = pw_get(task->definition, pw_str_of(member));
    pw_str name = first_member(pw_get(holder, pw_str_of(inner)));
    if (!name.len)
        return;
    pw_str shown = pw_lang_shown(load, name), of = pw_lang_shown(load, listen->name);
    bool data = pw_str_is(name, "data") && listen->as.listen.to.read != PW_READ_ENVELOPE;
    pw_lang_report_task(load, PAWL_FINDING_LISTEN_OUTPUT, task,
                        "'%s.%s' reads ." PW_FMT " of the output of '" PW_FMT
                        "', which is an array, also of one message: write '.[0]%s" PW_FMT "'%s",
                        member, inner, PW_ARG(shown), PW_ARG(of), data ? "" : ".",
                        PW_ARG(data ? PW_LIT("") : shown),
                        data ? "; what is read is the data already, unless 'read: envelope' says "
                               "otherwise"
                             : "");
}

/* Itself, and the task behind it. */
static void check_listen_output(pw_load *load, const pw_task *task, const pw_task *next)
{
    if (task->output_as) {
        report_as_object(load, task, task, "output", "as");
        return;
    }
    report_as_object(load, task, task, "export", "as");
    if (next && task->then.kind == PW_FLOW_CONTINUE)
        report_as_object(load, next, task, "input", "from");
}

static void report_unreachable(walk *w)
{
    for (uint32_t i = 0; i < w->list.count; i++) {
        if (w->reached[i])
            continue;
        pw_str shown = pw_lang_shown(w->load, w->list.tasks[i]->name);
        pw_lang_report_task(w->load, PAWL_FINDING_UNREACHABLE, w->list.tasks[i],
                            "nothing leads to '" PW_FMT
                            "': the task before it goes elsewhere, and no 'then' names it",
                            PW_ARG(shown));
    }
}

/* Recursion is bounded by PW_NESTING_MAX. True: the list can be left by its end or an `exit`. */
static bool check_list(pw_load *load, pw_list list, bool *pure)
{
    *pure = true;
    if (list.count == 0)
        return true;
    walk w = { .load = load, .list = list };
    w.passes = PW_NEW_ARRAY(&load->scratch, bool, list.count);
    w.pure = PW_NEW_ARRAY(&load->scratch, bool, list.count);
    w.reached = PW_NEW_ARRAY(&load->scratch, bool, list.count);
    w.todo = PW_NEW_ARRAY(&load->scratch, uint32_t, list.count);
    for (uint32_t i = 0; i < list.count; i++) {
        const pw_task *next = i + 1 < list.count ? list.tasks[i + 1] : NULL;
        if (list.tasks[i]->kind == PW_TASK_LISTEN)
            check_listen_output(load, list.tasks[i], next);
        w.passes[i] = check_inside(load, list.tasks[i], &w.pure[i]);
        *pure = *pure && w.pure[i];
    }
    search(&w, 0);
    bool completes = w.completes;
    report_unreachable(&w);
    check_loops(&w);
    return completes;
}

void pw_lang_lint(pw_load *load)
{
    bool pure;
    for (uint32_t i = 0; i < load->functions.count; i++)
        (void)check_inside(load, load->functions.items[i].task, &pure);
    (void)check_list(load, load->program->body, &pure);
    pw_lang_compensation_lint(load);
}
