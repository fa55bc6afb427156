/* on_fault.c - `metadata.pawl.onFault`: the user task that is opened when a task, or one inside it,
 * ends in an incident, and the actions that its answer may name. */
#include "lang/lang_internal.h"

static const char *const remedies[PW_REMEDY_COUNT] = { "retry", "skip", "fail", "compensate" };

/* metadata.pawl.actions; absent: all that there are, which is known later. */
static void compile_actions(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path)
{
    const pw_node *list = pw_lang_get(pw_lang_get(node, "pawl"), "actions");
    const pw_path *step = PW_STEP(PW_STEP(path, "pawl"), "actions");
    task->as.user.actions = PW_BIT(PW_REMEDY_COUNT) - 1;
    pw_late *late = PW_NEW(&load->scratch, pw_late);
    *late = (pw_late){ .next = load->answers, .task = task };
    load->answers = late;
    if (!pw_lang_is_list(load, list, step))
        return;
    unsigned actions = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        const pw_node *item = list->items[i];
        const pw_path *at = PW_STEP_AT(step, i);
        size_t chosen = pw_lang_choice(load, item, at, remedies, PW_REMEDY_COUNT,
                                       "an action is retry, skip, fail or compensate");
        if (chosen == PW_REMEDY_COUNT)
            continue;
        if (actions & PW_BIT(chosen))
            pw_lang_found(load, PAWL_FINDING_DUPLICATE, item, at, "'%s' is given twice",
                          remedies[chosen]);
        actions |= PW_BIT(chosen);
        if (chosen == PW_REMEDY_COMPENSATE) {
            late->node = item;
            late->pointer = pw_lang_pointer(&load->scratch, at);
        }
    }
    if (list->count == 0)
        pw_lang_error(load, list, step, "'actions' must not be empty: somebody has to answer");
    task->as.user.actions = actions;
}

const pw_task *pw_lang_on_fault(pw_load *load, const pw_node *node, const pw_path *path)
{
    static const pw_rule rules[] = { { "call", NULL }, { "with", NULL }, { "metadata", NULL } };
    const pw_node *ours = pw_lang_get(node, "pawl"), *said = pw_lang_get(ours, "onFault");
    const pw_path *step = PW_STEP(PW_STEP(path, "pawl"), "onFault");
    if (!pw_lang_is_map(load, said, step))
        return NULL;
    pw_lang_members(load, said, step, rules, PW_LENGTH(rules));
    const pw_node *call = pw_lang_require(load, said, step, "call");
    pw_str name;
    if (!pw_lang_string(load, call, PW_STEP(step, "call"), &name))
        return NULL;
    if (!pw_str_is(name, "userTask") && !pw_str_is(name, "userTask:1.0.0@default")) {
        pw_str shown = pw_lang_shown(load, name);
        pw_lang_error(load, call, PW_STEP(step, "call"),
                      "'onFault' asks a person: 'call: userTask', not '" PW_FMT "'", PW_ARG(shown));
        return NULL;
    }
    pw_task *task = pw_lang_task_new(load, pw_lang_key(ours, "onFault"));
    pw_lang_task_number(load, task, said);
    task->pointer = pw_lang_pointer(load->arena, step);
    task->definition = said->value;
    const pw_nest alone = { 0 }; /* opened beside what has faulted: no variables */
    pw_lang_call(load, task, said, step, &alone);
    pw_lang_metadata(load, pw_lang_get(said, "metadata"), PW_STEP(step, "metadata"),
                     PW_METADATA_OF_ON_FAULT);
    compile_actions(load, task, pw_lang_get(said, "metadata"), PW_STEP(step, "metadata"));
    return task;
}

void pw_lang_on_fault_end(pw_load *load)
{
    if (load->program->compensation.count)
        return;
    for (const pw_late *late = load->answers; late; late = late->next) {
        if (late->node)
            pw_lang_report_at(load, PAWL_FINDING_VALUE, late->node->start, late->pointer,
                              "nothing in this document can be undone: no task has 'compensate'");
        late->task->as.user.actions &= ~PW_BIT(PW_REMEDY_COMPENSATE);
    }
}
