/* compensate.c - how a task's effect is undone: `metadata.pawl.compensate`; when that is begun:
 * `document.metadata.pawl.compensation` and `call: compensate`.
 *
 * What undoes a task is a task itself, which stands in no list: it has a number behind what stands
 * in the other one. Its arguments are evaluated when the other one ends, and see what that one
 * saw; all else is evaluated when it is carried out, and sees no variables of `for` and `catch`. */
#include "lang/lang_internal.h"

/* Tasks looked at for scopes in which nothing can be undone; behind it no more are told of. */
#define LOOKED_AT_MAX 4000000u

/* ---- metadata.pawl.compensate */

/* What an ordinary task may have, and this one may not. */
static void check_members(pw_load *load, const pw_node *node, const pw_path *path)
{
    static const pw_rule rules[] = { { "if", NULL },
                                     { "call", NULL },
                                     { "with", NULL },
                                     { "emit", NULL },
                                     { "timeout", NULL },
                                     { "metadata", NULL },
                                     /* these have findings of their own */
                                     { "input", NULL },
                                     { "output", NULL },
                                     { "export", NULL },
                                     { "then", NULL },
                                     { "do", NULL },
                                     { "for", NULL },
                                     { "fork", NULL },
                                     { "try", NULL },
                                     { "set", NULL },
                                     { "switch", NULL },
                                     { "raise", NULL },
                                     { "wait", NULL },
                                     { "listen", NULL },
                                     { "run", NULL } };
    static const struct {
        const char *name, *says;
    } none[] = {
        { "input", "its arguments see the input and the output of what is undone" },
        { "output", "nobody reads its output" },
        { "export", "nobody reads its output" },
        { "then", "it stands in no list" },
    };
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    for (size_t i = 0; i < PW_LENGTH(none); i++) {
        const pw_node *key = pw_lang_key(node, none[i].name);
        if (key)
            pw_lang_error(load, key, PW_STEP(path, none[i].name),
                          "'%s' has no place in 'compensate': %s", none[i].name, none[i].says);
    }
    for (size_t i = 10; i < PW_LENGTH(rules); i++) {
        const pw_node *key = pw_lang_key(node, rules[i].name);
        if (key)
            pw_lang_error(load, key, PW_STEP(path, rules[i].name),
                          "a task is undone by 'call' or 'emit', not by '%s': define a function in "
                          "'use.functions', and call it",
                          rules[i].name);
    }
}

static void compile_rest(pw_load *load, pw_undo *undo, pw_task *task, const pw_node *node,
                         const pw_path *path)
{
    static const char *const when_unknown[] = { "ask", "run",
                                                "skip" }; /* in the order of the enum */
    const pw_node *metadata = pw_lang_get(node, "metadata"), *ours = pw_lang_get(metadata, "pawl");
    const pw_path *step = PW_STEP(PW_STEP(path, "metadata"), "pawl");
    pw_place later = { .arguments = PW_ARGS_BEFORE, .what = "'timeout'" };
    task->timeout =
        pw_lang_timeout(load, pw_lang_get(node, "timeout"), PW_STEP(path, "timeout"), &later);
    pw_lang_metadata(load, metadata, PW_STEP(path, "metadata"),
                     task->kind == PW_TASK_EMIT ? PW_METADATA_OF_UNDO_EMIT : PW_METADATA_OF_UNDO);
    bool required = true;
    (void)pw_lang_bool(load, pw_lang_get(ours, "required"), PW_STEP(step, "required"), &required);
    undo->optional = !required;
    size_t chosen = pw_lang_choice(
        load, pw_lang_get(ours, "whenUnknown"), PW_STEP(step, "whenUnknown"), when_unknown,
        PW_LENGTH(when_unknown), "'whenUnknown' must be ask, run or skip");
    if (chosen < PW_LENGTH(when_unknown))
        undo->when_unknown = (pw_when_unknown)chosen;
}

void pw_lang_undo(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                  const pw_nest *nest)
{
    const pw_node *ours = pw_lang_get(pw_lang_get(node, "metadata"), "pawl");
    const pw_node *said = pw_lang_get(ours, "compensate");
    const pw_path *step = PW_STEP(PW_STEP(PW_STEP(path, "metadata"), "pawl"), "compensate");
    bool calls = pw_lang_get(node, "call") != NULL;
    if (!said || (!calls && task->kind != PW_TASK_EMIT)) /* metadata.c says so */
        return;
    const pw_node *key = pw_lang_key(ours, "compensate");
    if (task->kind == PW_TASK_COMPENSATE) {
        pw_lang_error(load, key, step, "what undoes is not undone itself");
        return;
    }
    if (!pw_lang_is_map(load, said, step))
        return;
    pw_task *by = pw_lang_task_new(load, key);
    pw_lang_task_number(load, by, said);
    by->pointer = pw_lang_pointer(load->arena, step);
    by->definition = said->value;
    by->undoes = task;
    pw_undo *undo = PW_NEW(load->arena, pw_undo);
    undo->task = by;
    const pw_node *call = pw_lang_get(said, "call"), *emit = pw_lang_get(said, "emit");
    by->kind = emit ? PW_TASK_EMIT : PW_TASK_ACTIVITY;
    uint32_t before = load->findings->errors;
    check_members(load, said, step);
    compile_rest(load, undo, by, said, step);
    const pw_nest inner = { .scope = nest->scope, .slots = nest->slots, .undoes = task };
    pw_place place = { .scope = nest->scope, .arguments = PW_ARGS_EXPORT, .what = "'if'" };
    by->condition = pw_lang_condition(load, pw_lang_get(said, "if"), PW_STEP(step, "if"), &place);
    if (call && emit)
        pw_lang_error(load, said, step,
                      "a task is undone by one of 'call' and 'emit', not by both");
    else if (emit)
        pw_lang_emit(load, by, said, step, &inner);
    else if (call)
        pw_lang_call(load, by, said, step, &inner);
    else if (load->findings->errors == before) /* no other member that says what was meant */
        pw_lang_found(load, PAWL_FINDING_MISSING, said, step,
                      "'compensate' needs one of call and emit");
    if (by->kind == PW_TASK_COMPENSATE)
        pw_lang_error(load, call, PW_STEP(step, "call"), "what undoes cannot itself compensate");
    task->undo = undo;
}

/* ---- document.metadata.pawl.compensation */

void pw_lang_compensation(pw_load *load, const pw_node *node, const pw_path *path)
{
    static const pw_rule rules[] = { { "on", NULL } };
    static const char *const triggers[] = { "faulted", "cancelled" };
    if (!pw_lang_is_map(load, node, path))
        return;
    load->compensation = node;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    const pw_node *on = pw_lang_get(node, "on");
    const pw_path *step = PW_STEP(path, "on");
    if (!pw_lang_is_list(load, on, step))
        return;
    for (uint32_t i = 0; i < on->count; i++) {
        size_t chosen =
            pw_lang_choice(load, on->items[i], PW_STEP_AT(step, i), triggers, PW_LENGTH(triggers),
                           "compensation begins on faulted or cancelled");
        bool *begins = chosen == 0   ? &load->program->undo_on_fault
                       : chosen == 1 ? &load->program->undo_on_cancel
                                     : NULL;
        if (begins && *begins)
            pw_lang_found(load, PAWL_FINDING_DUPLICATE, on->items[i], PW_STEP_AT(step, i),
                          "'%s' is given twice", triggers[chosen]);
        else if (begins)
            *begins = true;
    }
}

/* ---- call: compensate */

void pw_lang_compensate(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path)
{
    static const pw_rule rules[] = { { "scope", NULL } };
    task->kind = PW_TASK_COMPENSATE;
    const pw_node *with = pw_lang_get(node, "with");
    const pw_path *step = PW_STEP(path, "with");
    if (!pw_lang_is_map(load, with, step))
        return;
    pw_lang_members(load, with, step, rules, PW_LENGTH(rules));
    const pw_node *scope = pw_lang_get(with, "scope");
    const pw_path *scope_path = PW_STEP(step, "scope");
    pw_str text;
    if (!pw_lang_string(load, scope, scope_path, &text) || pw_str_is(text, "workflow"))
        return;
    pw_late *late = PW_NEW(&load->scratch, pw_late);
    *late = (pw_late){ .next = load->scopes,
                       .task = task,
                       .node = scope,
                       .pointer = pw_lang_pointer(&load->scratch, scope_path) };
    load->scopes = late;
}

/* Tasks by what a scope calls them. */
typedef struct named_tasks {
    pw_index names, pointers;
    uint32_t *second; /* by task: another one of its name; 0: none */
} named_tasks;

/* A task of a list, or of use.functions, and not of somebody's metadata. */
static bool is_ordinary(const pw_task *task)
{
    return !task->undoes && task->kind != PW_TASK_SCHEDULE &&
           !(task->kind == PW_TASK_USER && task->as.user.actions);
}

static void name_tasks(pw_load *load, named_tasks *named)
{
    uint32_t first;
    named->second = PW_NEW_ARRAY(&load->scratch, uint32_t, load->task_count);
    for (uint32_t i = 0; i < load->task_count; i++) {
        const pw_task *task = load->tasks[i];
        if (!is_ordinary(task))
            continue;
        (void)pw_index_add(load, &named->pointers, task->pointer, i, &first);
        if (!pw_index_add(load, &named->names, task->name, i, &first) && !named->second[first])
            named->second[first] = i;
    }
}

static void report_no_scope(pw_load *load, const pw_late *late, bool pointer)
{
    pw_nearest nearest = pw_nearest_to(late->node->text);
    pw_nearest_try(load, &nearest, PW_LIT("workflow"));
    for (uint32_t i = 0; i < load->task_count && load->tries < PW_TRIES_MAX; i++) {
        if (is_ordinary(load->tasks[i]))
            pw_nearest_try(load, &nearest,
                           pointer ? load->tasks[i]->pointer : load->tasks[i]->name);
    }
    pw_str shown = pw_lang_shown(load, late->node->text), hint = pw_nearest_hint(load, &nearest);
    pw_lang_report_at(load, PAWL_FINDING_UNKNOWN_NAME, late->node->start, late->pointer,
                      "no task is named '" PW_FMT
                      "'; 'scope' is workflow, or a task's name or pointer" PW_FMT,
                      PW_ARG(shown), PW_ARG(hint));
}

/* The task of a scope, by its name or its pointer. */
static void find_scope(pw_load *load, const named_tasks *named, pw_late *late)
{
    pw_str text = late->node->text;
    bool pointer = text.len > 0 && text.ptr[0] == '/';
    const uint32_t *at = pw_index_find(pointer ? &named->pointers : &named->names, text);
    if (!at) {
        report_no_scope(load, late, pointer);
        return;
    }
    const pw_task *task = load->tasks[*at];
    if (!pointer && named->second[*at])
        pw_lang_report_at(load, PAWL_FINDING_VALUE, late->node->start, late->pointer,
                          "more than one task is named '" PW_FMT "': write the pointer of the one "
                          "that is meant, " PW_FMT " or " PW_FMT,
                          PW_ARG(pw_lang_shown(load, text)),
                          PW_ARG(pw_lang_shown(load, task->pointer)),
                          PW_ARG(pw_lang_shown(load, load->tasks[named->second[*at]]->pointer)));
    late->task->as.scope = task->pointer;
    late->scope = *at;
}

/* ---- behind all tasks */

/* What a compensation has to do with: something that can be undone, or a child that can. */
static bool can_undo(const pw_task *task)
{
    return task->undo || (task->kind == PW_TASK_RUN && task->as.run.await);
}

static bool any_undo(const pw_load *load)
{
    for (uint32_t i = 0; i < load->task_count; i++) {
        if (can_undo(load->tasks[i]))
            return true;
    }
    return false;
}

/* The function of use.functions that a task belongs to; count: none. Their tasks stand in a row. */
static uint32_t function_of(const pw_load *load, uint32_t index)
{
    const pw_names *functions = &load->functions;
    uint32_t low = 0, high = functions->count;
    if (!high || (load->program->body.count && index >= load->program->body.tasks[0]->index))
        return functions->count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (functions->items[middle].task->index <= index)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* A function that something is undone by must not ask for compensation: it would wait for itself.
 */
static void check_functions(pw_load *load)
{
    uint32_t count = load->functions.count, todo_count = 0;
    if (!count)
        return;
    /* by function: who called it, to undo something, through how many others it may be */
    const pw_task **by = PW_NEW_ARRAY(&load->scratch, const pw_task *, count);
    uint32_t *todo = PW_NEW_ARRAY(&load->scratch, uint32_t, count);
    for (uint32_t i = 0; i < load->task_count; i++) {
        const pw_task *task = load->tasks[i];
        uint32_t called = task->undoes && task->kind == PW_TASK_FUNCTION
                              ? function_of(load, task->as.call.body->index)
                              : count;
        if (called < count && !by[called]) {
            by[called] = task;
            todo[todo_count++] = called;
        }
    }
    while (todo_count > 0) {
        uint32_t at = todo[--todo_count];
        uint32_t first = load->functions.items[at].task->index;
        for (uint32_t i = first; i < load->task_count && function_of(load, i) == at; i++) {
            const pw_task *task = load->tasks[i];
            if (task->kind == PW_TASK_COMPENSATE) {
                pw_lang_report_task(load, PAWL_FINDING_VALUE, by[at],
                                    "what undoes cannot itself compensate, and " PW_FMT
                                    ", which it calls, does",
                                    PW_ARG(pw_lang_shown(load, task->pointer)));
                return;
            }
            uint32_t called = task->kind == PW_TASK_FUNCTION
                                  ? function_of(load, task->as.call.body->index)
                                  : count;
            if (called < count && !by[called]) {
                by[called] = by[at];
                todo[todo_count++] = called;
            }
        }
    }
}

void pw_lang_compensation_end(pw_load *load)
{
    if (load->findings->errors == 0)
        check_functions(load);
    named_tasks named = { 0 };
    if (load->scopes)
        name_tasks(load, &named);
    for (pw_late *late = load->scopes; late; late = late->next)
        find_scope(load, &named, late);
    if (!any_undo(load))
        return;
    const pw_node *said = load->compensation ? load->compensation : load->root;
    const pw_path *metadata = PW_STEP(PW_STEP(PW_STEP(NULL, "document"), "metadata"), "pawl");
    pw_task *task = PW_NEW(load->arena, pw_task);
    pw_lang_task_number(load, task, said);
    task->kind = PW_TASK_COMPENSATE;
    task->name = PW_LIT("compensation");
    task->pointer = pw_lang_pointer(load->arena, PW_STEP(metadata, "compensation"));
    task->definition = load->compensation ? said->value : pw_object_of(load->arena, NULL, 0);
    pw_lang_place(load, said->start, &task->line, &task->column);
    const pw_task **tasks = PW_NEW_ARRAY(load->arena, const pw_task *, 1);
    tasks[0] = task;
    load->program->compensation = (pw_list){ tasks, 1 };
}

/* ---- what is hardly meant */

/* A call of a function that may leave steps of its own, with their own pointers. */
static bool is_outside_call(const pw_load *load, const pw_task *task, const bool *undoing)
{
    return task->kind == PW_TASK_FUNCTION && !task->undo && !task->undoes &&
           undoing[function_of(load, task->as.call.body->index)];
}

/* By function: whether what it does, or those do that it calls, leaves steps. */
static const bool *undoing_functions(pw_load *load)
{
    uint32_t count = load->functions.count;
    bool *undoing = PW_NEW_ARRAY(&load->scratch, bool, count + 1);
    for (bool more = true; more && load->looked_at < LOOKED_AT_MAX;) {
        more = false;
        load->looked_at += load->task_count;
        for (uint32_t i = 0; i < load->task_count; i++) {
            uint32_t of = function_of(load, i);
            const pw_task *task = load->tasks[i];
            if (of == count || undoing[of] ||
                (!can_undo(task) && !is_outside_call(load, task, undoing)))
                continue;
            undoing[of] = more = true;
        }
    }
    return undoing;
}

/* In a task and those inside it, which stand in a row behind it, there should be something to undo,
 * and no call of a function which does things that are not in it. */
static void check_scope(pw_load *load, const pw_late *late, const bool *undoing)
{
    pw_str scope = late->task->as.scope, shown = pw_lang_shown(load, late->node->text);
    bool any = false;
    for (uint32_t i = late->scope; i < load->task_count; i++) {
        const pw_task *task = load->tasks[i];
        if (!pw_str_starts(task->pointer, scope) ||
            (task->pointer.len > scope.len && task->pointer.ptr[scope.len] != '/'))
            break;
        if (load->looked_at++ >= LOOKED_AT_MAX)
            return;
        any = any || can_undo(task);
        if (!is_outside_call(load, task, undoing))
            continue;
        pw_lang_report_at(
            load, PAWL_FINDING_NO_EFFECT, late->node->start, late->pointer,
            "what '" PW_FMT "' does, which " PW_FMT " calls, is not undone with '" PW_FMT
            "': that of a function counts where the function stands; put 'compensate' "
            "at the call",
            PW_ARG(pw_lang_shown(load, task->as.call.name)),
            PW_ARG(pw_lang_shown(load, task->pointer)), PW_ARG(shown));
        return;
    }
    if (!any)
        pw_lang_report_at(load, PAWL_FINDING_NO_EFFECT, late->node->start, late->pointer,
                          "nothing in '" PW_FMT
                          "' can be undone: no task in it has 'compensate', or "
                          "runs a workflow",
                          PW_ARG(shown));
}

void pw_lang_compensation_lint(pw_load *load)
{
    const pw_program *program = load->program;
    const pw_task *undone = NULL, *asks = NULL;
    const pw_task *whole = program->compensation.count ? program->compensation.tasks[0] : NULL;
    for (uint32_t i = 0; i < load->task_count; i++) {
        const pw_task *task = load->tasks[i];
        if (task->undo && !undone)
            undone = task;
        if (task->kind == PW_TASK_COMPENSATE && task != whole && !asks)
            asks = task;
    }
    static const char nothing[] =
        "nothing in this document can be undone: no task has 'compensate', or runs a workflow";
    if (asks && !whole)
        pw_lang_report_task(load, PAWL_FINDING_NO_EFFECT, asks, nothing);
    if (load->compensation && !whole)
        pw_lang_report_at(load, PAWL_FINDING_NO_EFFECT, load->compensation->start,
                          PW_LIT("/document/metadata/pawl/compensation"), nothing);
    const bool *undoing = whole && load->scopes ? undoing_functions(load) : NULL;
    for (const pw_late *late = whole ? load->scopes : NULL; late; late = late->next)
        check_scope(load, late, undoing);
    if (undone && !asks && !load->compensation)
        pw_lang_report_task(load, PAWL_FINDING_ON_REQUEST, undone->undo->task,
                            "nothing here begins a compensation: it runs only if an operator says "
                            "so");
}
