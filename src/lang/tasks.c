/* tasks.c - lists of tasks, what all tasks share, and the tasks that only move data and control.
 *
 * Tasks get their numbers in the order in which they are met here: parents before children, a
 * `try` list before its `catch.do`, what stands in a task's metadata behind what stands in the
 * task. The numbers are part of stored states: this order must not change. */
#include "lang/lang_internal.h"

/* ---- then */

pw_flow pw_lang_flow(pw_load *load, const pw_node *node, const pw_path *path, const pw_tasks *list)
{
    pw_flow flow = { .kind = PW_FLOW_CONTINUE };
    pw_str name;
    if (!pw_lang_string(load, node, path, &name) || pw_str_is(name, "continue"))
        return flow;
    if (pw_str_is(name, "exit")) {
        flow.kind = PW_FLOW_EXIT;
        return flow;
    }
    if (pw_str_is(name, "end")) {
        flow.kind = PW_FLOW_END;
        return flow;
    }
    pw_str shown = pw_lang_shown(load, name);
    if (list->branches) {
        pw_lang_error(load, node, path,
                      "branches run at the same time, so one cannot go to '" PW_FMT
                      "'; it can continue, exit or end",
                      PW_ARG(shown));
        return flow;
    }
    if (pw_is(list->positions, PW_NONE)) {
        pw_lang_error(load, node, path,
                      "a function has no other tasks to go to; it can continue, exit or end");
        return flow;
    }
    int64_t position;
    if (pw_integer(pw_get(list->positions, name), &position)) {
        flow.kind = PW_FLOW_GOTO;
        flow.target = (uint32_t)position;
        return flow;
    }
    pw_nearest nearest = pw_nearest_to(name);
    for (uint32_t i = 0; i < list->node->count && load->tries < PW_TRIES_MAX; i++) {
        const pw_node *item = list->node->items[i];
        if (item->kind == PW_NODE_MAP && item->count == 1)
            pw_nearest_try(load, &nearest, item->pairs[0].key->text);
    }
    pw_nearest_try(load, &nearest, PW_LIT("continue"));
    pw_nearest_try(load, &nearest, PW_LIT("exit"));
    pw_nearest_try(load, &nearest, PW_LIT("end"));
    pw_str hint = pw_nearest_hint(load, &nearest);
    pw_lang_found(load, PAWL_FINDING_UNKNOWN_NAME, node, path,
                  "no task named '" PW_FMT
                  "' in this list; 'then' is continue, exit, end or a task of the "
                  "same list" PW_FMT,
                  PW_ARG(shown), PW_ARG(hint));
    return flow;
}

/* ---- variables */

bool pw_lang_variable(pw_load *load, const pw_node *node, const pw_path *path, const char *fallback,
                      const pw_nest *nest, uint32_t *slots, pw_scope *scope)
{
    static const char *const taken[] = { "context", "input",    "output",  "secrets",
                                         "task",    "workflow", "runtime", "authorization" };
    pw_str name = pw_str_of(fallback);
    if (node && !pw_lang_string(load, node, path, &name))
        return false;
    pw_str shown = pw_lang_shown(load, name);
    if (!pw_is_identifier(name)) {
        bool dollar = name.len > 1 && name.ptr[0] == '$';
        pw_lang_error(load, node, path, "'" PW_FMT "' is no name for a variable%s", PW_ARG(shown),
                      dollar ? "; leave out the $"
                             : ": letters, digits and _ only, no digit first");
        return false;
    }
    for (size_t i = 0; i < PW_LENGTH(taken) && node; i++) {
        if (pw_str_is(name, taken[i]))
            pw_lang_found(load, PAWL_FINDING_HIDDEN, node, path, "this variable hides $%s",
                          taken[i]);
    }
    if (*slots >= PW_EXPR_SLOTS_MAX - PW_SLOT_LEXICAL) {
        pw_lang_found(load, PAWL_FINDING_TOO_LARGE, node ? node : nest->list->node, path,
                      "more than %u variables of 'for' and 'catch' within each other",
                      (unsigned)(PW_EXPR_SLOTS_MAX - PW_SLOT_LEXICAL));
        return false;
    }
    *scope = (pw_scope){ .up = scope->up, .name = name, .slot = PW_SLOT_LEXICAL + *slots };
    ++*slots;
    return true;
}

/* ---- lists */

static bool is_directive(pw_str name)
{
    return pw_str_is(name, "continue") || pw_str_is(name, "exit") || pw_str_is(name, "end");
}

static void check_name(pw_load *load, const pw_node *list, uint32_t at, pw_value seen,
                       const pw_path *path)
{
    const pw_node *key = list->items[at]->pairs[0].key;
    int64_t first;
    pw_str shown = pw_lang_shown(load, key->text);
    if (key->text.len == 0) {
        pw_lang_error(load, key, path, "a task needs a name");
    } else if (is_directive(key->text)) {
        pw_lang_error(load, key, path,
                      "a task cannot be named '" PW_FMT "': 'then: " PW_FMT
                      "' means something else",
                      PW_ARG(shown), PW_ARG(shown));
    } else if (pw_integer(pw_get(seen, key->text), &first) && (uint32_t)first != at) {
        uint32_t line, column;
        pw_lang_place(load, list->items[first]->pairs[0].key->start, &line, &column);
        pw_lang_found(load, PAWL_FINDING_DUPLICATE, key, path,
                      "task '" PW_FMT
                      "' is named twice in one list; the first is at line %u, column %u",
                      PW_ARG(shown), line, column);
    }
}

/* Names to positions: the first of equal names. */
static pw_value positions_of(pw_load *load, const pw_node *node)
{
    pw_member *members = PW_NEW_ARRAY(&load->scratch, pw_member, node->count ? node->count : 1);
    size_t count = 0;
    /* backwards, because of equal names the last counts */
    for (uint32_t i = node->count; i-- > 0;) {
        const pw_node *item = node->items[i];
        if (item->kind == PW_NODE_MAP && item->count == 1)
            members[count++] = (pw_member){ item->pairs[0].key->text, pw_int(i) };
    }
    return pw_object_of(&load->scratch, members, count);
}

void pw_lang_task_number(pw_load *load, pw_task *task, const pw_node *node)
{
    if (load->task_count == PW_TASKS_MAX) {
        if (!load->tasks_full)
            pw_lang_found(load, PAWL_FINDING_TOO_LARGE, node, NULL,
                          "the document has more than %u tasks", PW_TASKS_MAX);
        load->tasks_full = true;
        return;
    }
    if (load->task_count == load->task_size) {
        uint32_t size = load->task_size ? load->task_size * 2 : 64;
        load->tasks = pw_arena_grow(&load->scratch, load->tasks,
                                    load->task_size * sizeof(pw_task *), size * sizeof(pw_task *));
        load->task_size = size;
    }
    task->index = load->task_count;
    load->tasks[load->task_count++] = task;
}

pw_task *pw_lang_task_new(pw_load *load, const pw_node *key)
{
    pw_task *task = PW_NEW(load->arena, pw_task);
    task->name = key->text;
    pw_lang_place(load, key->start, &task->line, &task->column);
    return task;
}

pw_list pw_lang_list(pw_load *load, const pw_node *node, const pw_path *path, const pw_nest *outer,
                     bool branches)
{
    pw_list list = { 0 };
    if (!pw_lang_is_list(load, node, path))
        return list;
    pw_nest nest = *outer;
    nest.depth++;
    if (nest.depth > PW_NESTING_MAX) {
        pw_lang_found(load, PAWL_FINDING_TOO_LARGE, node, path,
                      "tasks nest more than %u levels deep; use 'use.functions'", PW_NESTING_MAX);
        return list;
    }
    pw_tasks tasks = { .positions = positions_of(load, node), .node = node, .branches = branches };
    nest.list = &tasks;
    list.tasks = PW_NEW_ARRAY(load->arena, const pw_task *, node->count ? node->count : 1);
    for (uint32_t i = 0; i < node->count && !load->tasks_full; i++) {
        const pw_node *item = node->items[i];
        pw_path at = { .up = path, .index = i };
        if (item->kind != PW_NODE_MAP) {
            pw_lang_found(load, PAWL_FINDING_TYPE, item, &at,
                          "a list item is one named task, not %s", pw_lang_type(item));
            continue;
        }
        if (item->count != 1) {
            pw_lang_error(load, item, &at,
                          item->count
                              ? "a list item is one named task; this has %u names: put a "
                                "'-' before each task, and indent its members below its name"
                              : "a list item is one named task; this has %u names",
                          item->count);
            continue;
        }
        const pw_node *key = item->pairs[0].key;
        pw_path step = { .up = &at, .key = key->text };
        check_name(load, node, i, tasks.positions, &step);
        pw_task *task = pw_lang_task_new(load, key);
        task->position = list.count;
        list.tasks[list.count++] = task;
        pw_lang_task(load, task, item->pairs[0].value, &step, &nest);
    }
    return list;
}

/* ---- set, switch, for, fork, wait */

static pw_place inside(const pw_nest *nest, const char *what)
{
    return (pw_place){ .scope = nest->scope, .arguments = PW_ARGS_INSIDE, .what = what };
}

static void compile_do(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                       const pw_nest *nest)
{
    task->as.body = pw_lang_list(load, pw_lang_get(node, "do"), PW_STEP(path, "do"), nest, false);
}

static void compile_set(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                        const pw_nest *nest)
{
    const pw_node *set = pw_lang_get(node, "set");
    const pw_path *step = PW_STEP(path, "set");
    pw_place place = inside(nest, "'set'");
    pw_str source;
    const pw_template *out = pw_lang_template(load, set, step, &place);
    if (pw_lang_is_string(set)) {
        if (out->kind == PW_TEMPLATE_CONST &&
            pw_lang_wrapped(load, set, step, &place, &source) == PW_WRAPPED_NO)
            pw_lang_error(load, set, step,
                          "'set' must be an object or one expression in ${ }, not literal text");
    } else if (pw_lang_is_map(load, set, step) && set->count == 0) {
        pw_lang_error(load, set, step, "'set' must have at least one member");
    }
    task->as.set = out;
}

static void compile_case(pw_load *load, pw_case *out, const pw_node *key, const pw_node *node,
                         const pw_path *path, const pw_nest *nest)
{
    static const pw_rule rules[] = { { "when", NULL }, { "then", NULL } };
    pw_place place = inside(nest, "'when'");
    out->name = key->text;
    if (!pw_lang_is_map(load, node, path))
        return;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    out->when = pw_lang_condition(load, pw_lang_get(node, "when"), PW_STEP(path, "when"), &place);
    out->then = pw_lang_flow(load, pw_lang_require(load, node, path, "then"), PW_STEP(path, "then"),
                             nest->list);
}

static void compile_switch(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                           const pw_nest *nest)
{
    const pw_node *cases = pw_lang_get(node, "switch");
    const pw_path *step = PW_STEP(path, "switch");
    if (!pw_lang_is_list(load, cases, step))
        return;
    if (cases->count == 0)
        pw_lang_error(load, cases, step, "'switch' must have at least one case");
    pw_case *out = PW_NEW_ARRAY(load->arena, pw_case, cases->count ? cases->count : 1);
    pw_value seen = positions_of(load, cases);
    const pw_node *fallback = NULL;
    for (uint32_t i = 0; i < cases->count; i++) {
        const pw_node *item = cases->items[i];
        pw_path at = { .up = step, .index = i };
        uint32_t line, column;
        int64_t first;
        if (item->kind != PW_NODE_MAP) {
            pw_lang_found(load, PAWL_FINDING_TYPE, item, &at,
                          "a list item is one named case, not %s", pw_lang_type(item));
            continue;
        }
        if (item->count != 1) {
            pw_lang_error(load, item, &at, "a list item is one named case; this has %u names",
                          item->count);
            continue;
        }
        const pw_node *key = item->pairs[0].key, *body = item->pairs[0].value;
        pw_path name = { .up = &at, .key = key->text };
        if (pw_integer(pw_get(seen, key->text), &first) && first != i) {
            pw_str shown = pw_lang_shown(load, key->text);
            pw_lang_place(load, cases->items[first]->pairs[0].key->start, &line, &column);
            pw_lang_found(load, PAWL_FINDING_DUPLICATE, key, &name,
                          "case '" PW_FMT "' is named twice; the first is at line %u, column %u",
                          PW_ARG(shown), line, column);
        }
        compile_case(load, &out[i], key, body, &name, nest);
        /* a misspelt `when` has its finding */
        if (body->kind == PW_NODE_MAP && !pw_lang_get(body, "when") && body->count <= 1) {
            if (fallback) {
                pw_lang_place(load, fallback->start, &line, &column);
                pw_lang_found(load, PAWL_FINDING_DUPLICATE, key, &name,
                              "a second case without 'when': the first is at line %u, column %u",
                              line, column);
            } else {
                fallback = key;
            }
        }
    }
    task->as.choice.cases = out;
    task->as.choice.count = cases->count;
}

static void compile_for(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                        const pw_nest *nest)
{
    static const pw_rule rules[] = { { "each", NULL }, { "in", NULL }, { "at", NULL } };
    const pw_node *loop = pw_lang_get(node, "for");
    const pw_path *step = PW_STEP(path, "for");
    if (pw_lang_is_map(load, loop, step)) {
        pw_lang_members(load, loop, step, rules, PW_LENGTH(rules));
        const pw_node *in = pw_lang_require(load, loop, step, "in");
        pw_place place = inside(nest, "'in'");
        if (in && in->kind == PW_NODE_LIST)
            task->as.loop.in = pw_lang_template(load, in, PW_STEP(step, "in"), &place);
        else if (in && !pw_lang_is_string(in))
            pw_lang_found(load, PAWL_FINDING_TYPE, in, PW_STEP(step, "in"),
                          "'in' must be an expression or a list, not %s", pw_lang_type(in));
        else
            task->as.loop.in = pw_lang_transform(load, in, PW_STEP(step, "in"), &place);
    }
    pw_nest inner = *nest;
    pw_scope each = { .up = nest->scope }, at = { .up = &each };
    const pw_node *each_node = pw_lang_get(loop, "each"), *at_node = pw_lang_get(loop, "at");
    bool good =
        pw_lang_variable(load, each_node, PW_STEP(step, "each"), "item", nest, &inner.slots,
                         &each) &&
        pw_lang_variable(load, at_node, PW_STEP(step, "at"), "index", nest, &inner.slots, &at);
    if (good) {
        inner.scope = &at;
        task->as.loop.each = each.name;
        task->as.loop.each_slot = each.slot;
        task->as.loop.at = at.name;
        task->as.loop.at_slot = at.slot;
        if (pw_str_eq(each.name, at.name))
            pw_lang_error(load, at_node ? at_node : each_node,
                          PW_STEP(step, at_node ? "at" : "each"),
                          "'each' and 'at' must have different names");
    } else if (inner.slots > nest->slots) {
        inner.slots = nest->slots;
    }
    pw_place place = inside(&inner, "'while'");
    task->as.loop.while_ =
        pw_lang_condition(load, pw_lang_get(node, "while"), PW_STEP(path, "while"), &place);
    if (!good) /* every use of the variables would be one more finding about the same mistake */
        return;
    task->as.loop.body = pw_lang_list(load, pw_lang_require(load, node, path, "do"),
                                      PW_STEP(path, "do"), &inner, false);
}

static void compile_fork(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                         const pw_nest *nest)
{
    static const pw_rule rules[] = { { "branches", NULL }, { "compete", NULL } };
    const pw_node *fork = pw_lang_get(node, "fork");
    const pw_path *step = PW_STEP(path, "fork");
    if (!pw_lang_is_map(load, fork, step))
        return;
    pw_lang_members(load, fork, step, rules, PW_LENGTH(rules));
    (void)pw_lang_bool(load, pw_lang_get(fork, "compete"), PW_STEP(step, "compete"),
                       &task->as.fork.compete);
    const pw_node *branches = pw_lang_require(load, fork, step, "branches");
    if (branches && branches->kind == PW_NODE_LIST && branches->count == 0)
        pw_lang_error(load, branches, PW_STEP(step, "branches"), "'branches' must not be empty");
    task->as.fork.branches = pw_lang_list(load, branches, PW_STEP(step, "branches"), nest, true);
}

static void compile_wait(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                         const pw_nest *nest)
{
    pw_place place = inside(nest, "'wait'");
    task->as.wait =
        pw_lang_duration(load, pw_lang_get(node, "wait"), PW_STEP(path, "wait"), &place);
}

/* ---- kinds */

typedef void (*compile_fn)(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                           const pw_nest *nest);

typedef struct kind {
    const char *member;
    pw_task_kind kind;
    compile_fn compile; /* NULL: not in this release */
    const char *companions[3];
} kind;

/* `for` before `do`, which is its companion. `call` is refined when it is compiled. */
static const kind kinds[] = {
    { "for", PW_TASK_FOR, compile_for, { "do", "while" } },
    { "do", PW_TASK_DO, compile_do, { NULL } },
    { "set", PW_TASK_SET, compile_set, { NULL } },
    { "switch", PW_TASK_SWITCH, compile_switch, { NULL } },
    { "fork", PW_TASK_FORK, compile_fork, { NULL } },
    { "try", PW_TASK_TRY, pw_lang_try, { "catch" } },
    { "raise", PW_TASK_RAISE, pw_lang_raise, { NULL } },
    { "wait", PW_TASK_WAIT, compile_wait, { NULL } },
    { "emit", PW_TASK_EMIT, pw_lang_emit, { NULL } },
    { "call", PW_TASK_ACTIVITY, pw_lang_call, { "with" } },
    { "listen", PW_TASK_LISTEN, pw_lang_listen_task, { "foreach" } },
    { "run", PW_TASK_RUN, pw_lang_run, { NULL } },
};

static const char *const common[] = { "if",      "input", "output",  "export",
                                      "timeout", "then",  "metadata" };

static bool is_companion(const kind *k, const char *member)
{
    for (size_t i = 0; i < PW_LENGTH(k->companions) && k->companions[i]; i++) {
        if (strcmp(k->companions[i], member) == 0)
            return true;
    }
    return false;
}

/* The kind of a task, by its members; NULL, with a finding: none. A second one is a finding. */
static const kind *kind_of(pw_load *load, const pw_node *node, const pw_path *path)
{
    const kind *found = NULL;
    for (size_t i = 0; i < PW_LENGTH(kinds); i++) {
        const pw_node *key = pw_lang_key(node, kinds[i].member);
        if (!key || (found && is_companion(found, kinds[i].member)))
            continue;
        if (!found) {
            found = &kinds[i];
            continue;
        }
        const pw_node *first = pw_lang_key(node, found->member);
        pw_lang_error(load, first->start < key->start ? key : first, path,
                      "a task does one thing; this has both '%s' and '%s'",
                      first->start < key->start ? found->member : kinds[i].member,
                      first->start < key->start ? kinds[i].member : found->member);
    }
    return found;
}

static void check_members(pw_load *load, const pw_node *node, const pw_path *path, const kind *k)
{
    pw_rule rules[PW_LENGTH(kinds) + PW_LENGTH(common) + 3];
    size_t count = 0;
    for (size_t i = 0; i < PW_LENGTH(common); i++)
        rules[count++] = (pw_rule){ common[i], NULL };
    for (size_t i = 0; i < PW_LENGTH(kinds); i++) /* a second kind has its own finding */
        rules[count++] = (pw_rule){ kinds[i].member, NULL };
    for (size_t i = 0; k && i < PW_LENGTH(k->companions) && k->companions[i]; i++)
        rules[count++] = (pw_rule){ k->companions[i], NULL };
    pw_lang_members(load, node, path, rules, count);
}

/* No kind: the member that nearly is one says most. */
static void report_no_kind(pw_load *load, const pw_task *task, const pw_node *node,
                           const pw_path *path)
{
    for (uint32_t i = 0; i < node->count; i++) {
        pw_nearest nearest = pw_nearest_to(node->pairs[i].key->text);
        bool known = false;
        for (size_t j = 0; j < PW_LENGTH(common); j++)
            known = known || pw_str_is(node->pairs[i].key->text, common[j]);
        for (size_t j = 0; j < PW_LENGTH(kinds) && !known; j++)
            pw_nearest_try(load, &nearest, pw_str_of(kinds[j].member));
        if (nearest.distance != UINT32_MAX) {
            check_members(load, node, path, NULL);
            return;
        }
    }
    pw_str shown = pw_lang_shown(load, task->name);
    pw_lang_found(load, PAWL_FINDING_MISSING, node, path,
                  "task '" PW_FMT
                  "' does nothing: it needs one of call, do, emit, for, fork, listen, raise, "
                  "run, set, switch, try, wait",
                  PW_ARG(shown));
    check_members(load, node, path, NULL);
}

/* ---- what all tasks share */

const pw_template *pw_lang_shaped(pw_load *load, const pw_node *node, const pw_path *path,
                                  const char *member, const char *inner, const pw_place *place,
                                  pw_value *schema)
{
    const pw_node *outer = pw_lang_get(node, member);
    const pw_path *step = PW_STEP(path, member);
    if (!pw_lang_is_map(load, outer, step))
        return NULL;
    pw_rule rules[] = { { inner, NULL }, { "schema", NULL } };
    pw_lang_members(load, outer, step, rules, PW_LENGTH(rules));
    *schema = pw_lang_data_schema(load, outer, step, member);
    return pw_lang_transform(load, pw_lang_get(outer, inner), PW_STEP(step, inner), place);
}

/* NULL if there is none of them: most tasks have none. */
static const pw_schemas *kept_schemas(pw_load *load, const pw_schemas *schemas)
{
    if (pw_is(schemas->input, PW_NONE) && pw_is(schemas->output, PW_NONE) &&
        pw_is(schemas->export_, PW_NONE))
        return NULL;
    pw_schemas *kept = PW_NEW(load->arena, pw_schemas);
    *kept = *schemas;
    return kept;
}

static void compile_common(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                           const pw_nest *nest)
{
    pw_place place = { .scope = nest->scope, .arguments = PW_ARGS_BEFORE, .what = "'if'" };
    task->condition = pw_lang_condition(load, pw_lang_get(node, "if"), PW_STEP(path, "if"), &place);
    pw_schemas schemas = { 0 };
    place.what = "'input.from'";
    task->input_from = pw_lang_shaped(load, node, path, "input", "from", &place, &schemas.input);
    place.what = "'timeout'";
    task->timeout =
        pw_lang_timeout(load, pw_lang_get(node, "timeout"), PW_STEP(path, "timeout"), &place);
    place.arguments = PW_ARGS_INSIDE;
    place.what = "'output.as'";
    task->output_as = pw_lang_shaped(load, node, path, "output", "as", &place, &schemas.output);
    place.arguments = PW_ARGS_EXPORT;
    place.what = "'export.as'";
    task->export_as = pw_lang_shaped(load, node, path, "export", "as", &place, &schemas.export_);
    task->schemas = kept_schemas(load, &schemas);
    task->then = pw_lang_flow(load, pw_lang_get(node, "then"), PW_STEP(path, "then"), nest->list);
    pw_lang_metadata(load, pw_lang_get(node, "metadata"), PW_STEP(path, "metadata"),
                     task->kind == PW_TASK_RUN        ? PW_METADATA_OF_RUN
                     : task->kind == PW_TASK_ACTIVITY ? PW_METADATA_OF_CALL
                     : task->kind == PW_TASK_EMIT     ? PW_METADATA_OF_EMIT
                                                      : PW_METADATA_OF_TASK);
}

void pw_lang_task(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                  const pw_nest *nest)
{
    pw_lang_task_number(load, task, node);
    task->pointer = pw_lang_pointer(load->arena, path);
    task->definition = node->value;
    if (!pw_lang_is_map(load, node, path))
        return;
    const kind *k = kind_of(load, node, path);
    if (!k) {
        report_no_kind(load, task, node, path);
        compile_common(load, task, node, path, nest);
        return;
    }
    task->kind = k->kind;
    check_members(load, node, path, k);
    compile_common(load, task, node, path, nest);
    if (k->compile)
        k->compile(load, task, node, path, nest);
    else
        pw_lang_not_yet(load, pw_lang_key(node, k->member), PW_STEP(path, k->member), k->member);
    pw_lang_undo(load, task, node, path, nest);
    task->on_fault =
        pw_lang_on_fault(load, pw_lang_get(node, "metadata"), PW_STEP(path, "metadata"));
}
