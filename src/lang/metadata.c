/* metadata.c - what stands below `metadata.pawl`, the one key by which this engine adds to the
 * language. It has a published schema (metadata.schema.json), and test/unit/lang/metadata_test.c
 * holds the two together. */
#include "lang/lang_internal.h"

extern const char pw_metadata_schema[]; /* metadata.schema.json, by tools/embed.py */

const char *pw_lang_metadata_schema(void)
{
    return pw_metadata_schema;
}

#define OF_TASKS                                                                                   \
    (PW_BIT(PW_METADATA_OF_TASK) | PW_BIT(PW_METADATA_OF_RUN) | PW_BIT(PW_METADATA_OF_CALL) |      \
     PW_BIT(PW_METADATA_OF_EMIT))
#define OF_CALLS                                                                                   \
    (PW_BIT(PW_METADATA_OF_CALL) | PW_BIT(PW_METADATA_OF_UNDO) | PW_BIT(PW_METADATA_OF_ON_FAULT))
#define OF_UNDO (PW_BIT(PW_METADATA_OF_UNDO) | PW_BIT(PW_METADATA_OF_UNDO_EMIT))

static const struct {
    const char *name, *elsewhere; /* NULL: unknown there */
    unsigned of;                  /* PW_BIT(PW_METADATA_OF_...) */
} keys[] = {
    /* clang-format off */
    { "lifecycle", NULL, PW_BIT(PW_METADATA_OF_DOCUMENT) },
    { "schedule", NULL, PW_BIT(PW_METADATA_OF_DOCUMENT) },     /* read by schedule.c */
    { "compensation", NULL, PW_BIT(PW_METADATA_OF_DOCUMENT) }, /* by compensate.c, with three more */
    { "onFault", "'onFault' is of the document and of its tasks", PW_BIT(PW_METADATA_OF_DOCUMENT) | OF_TASKS }, /* by on_fault.c */
    { "parentClose", "'parentClose' is of tasks that run a workflow", PW_BIT(PW_METADATA_OF_RUN) }, /* by run.c */
    { "priority", "'priority' is of tasks that call an activity", OF_CALLS },                       /* by calls.c */
    { "resilience", "'resilience' is of tasks with 'call'", OF_CALLS },                             /* by resilience.c */
    { "compensate", "'compensate' is of tasks that do something outside: 'call' and 'emit'",
      PW_BIT(PW_METADATA_OF_CALL) | PW_BIT(PW_METADATA_OF_EMIT) },
    { "required", "'required' is of what stands in 'compensate'", OF_UNDO },
    { "whenUnknown", "'whenUnknown' is of what stands in 'compensate'", OF_UNDO },
    { "actions", "'actions' is of what stands in 'onFault'", PW_BIT(PW_METADATA_OF_ON_FAULT) }, /* by on_fault.c */
    /* clang-format on */
};

/* ---- document.metadata.pawl.lifecycle */

/* One name of a list; `of`: the kinds that there are. */
static unsigned event_kind(pw_load *load, const pw_node *node, const pw_path *path, unsigned of)
{
    pw_str name;
    if (!pw_lang_string(load, node, path, &name))
        return 0;
    pw_nearest nearest = pw_nearest_to(name);
    for (unsigned kind = 0; kind < PW_LIFE_COUNT; kind++) {
        if (!(of & PW_BIT(kind)))
            continue;
        if (pw_str_is(name, pw_life_name((pw_life)kind)))
            return PW_BIT(kind);
        pw_nearest_try(load, &nearest, pw_str_of(pw_life_name((pw_life)kind)));
    }
    if (pw_str_is(name, "status-changed")) {
        pw_lang_found(load, PAWL_FINDING_NOT_SUPPORTED, node, path,
                      "the event `status-changed`, which the language leaves optional, is not in "
                      "this release of pawl");
        return 0;
    }
    pw_str shown = pw_lang_shown(load, name), hint = pw_nearest_hint(load, &nearest);
    pw_lang_error(load, node, path, "there is no lifecycle event '" PW_FMT "' here" PW_FMT,
                  PW_ARG(shown), PW_ARG(hint));
    return 0;
}

/* all, none, or a list of names; absent: what it was. */
static void event_kinds(pw_load *load, const pw_node *node, const pw_path *path, unsigned of,
                        unsigned *kinds)
{
    if (!node)
        return;
    if (node->kind == PW_NODE_LIST) {
        *kinds = 0;
        for (uint32_t i = 0; i < node->count; i++)
            *kinds |= event_kind(load, node->items[i], PW_STEP_AT(path, i), of);
        return;
    }
    if (!pw_lang_is_string(node)) {
        pw_lang_found(load, PAWL_FINDING_TYPE, node, path,
                      "this must be all, none, or a list of lifecycle events, not %s",
                      pw_lang_type(node));
    } else if (pw_str_is(node->text, "all")) {
        *kinds = of;
    } else if (pw_str_is(node->text, "none")) {
        *kinds = 0;
    } else {
        pw_str shown = pw_lang_shown(load, node->text);
        pw_lang_error(load, node, path,
                      "this must be all, none, or a list of lifecycle events, not '" PW_FMT "'",
                      PW_ARG(shown));
    }
}

static void compile_lifecycle(pw_load *load, const pw_node *node, const pw_path *path)
{
    static const pw_rule rules[] = { { "workflow", NULL }, { "tasks", NULL }, { "output", NULL } };
    pw_lifecycle *wanted = &load->program->lifecycle;
    if (!pw_lang_is_map(load, node, path))
        return;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    event_kinds(load, pw_lang_get(node, "workflow"), PW_STEP(path, "workflow"), PW_LIFE_OF_WORKFLOW,
                &wanted->workflow);
    event_kinds(load, pw_lang_get(node, "tasks"), PW_STEP(path, "tasks"), PW_LIFE_OF_TASKS,
                &wanted->tasks);
    bool output;
    if (pw_lang_bool(load, pw_lang_get(node, "output"), PW_STEP(path, "output"), &output))
        wanted->workflow_output = wanted->task_output = output;
}

/* ---- the keys */

/* A key that is there, but not at this place. */
static const char *says_elsewhere(size_t key, pw_metadata_of of)
{
    if (pw_str_is(PW_LIT("compensate"), keys[key].name)) {
        if (of == PW_METADATA_OF_RUN)
            return "a workflow that is run undoes what it did by itself: its own tasks say how";
        if (PW_BIT(of) & OF_UNDO)
            return "what undoes is not undone itself";
    }
    return keys[key].elsewhere;
}

static void check_key(pw_load *load, const pw_node *key, const pw_path *path, pw_metadata_of of)
{
    pw_str shown = pw_lang_shown(load, key->text);
    pw_nearest nearest = pw_nearest_to(key->text);
    for (size_t i = 0; i < PW_LENGTH(keys); i++) {
        bool here = keys[i].of & PW_BIT(of);
        const char *elsewhere = of == PW_METADATA_OF_DOCUMENT ? NULL : says_elsewhere(i, of);
        if (here || elsewhere)
            pw_nearest_try(load, &nearest, pw_str_of(keys[i].name));
        if (!pw_str_is(key->text, keys[i].name) || (!here && !elsewhere))
            continue;
        if (!here)
            pw_lang_error(load, key, path, "%s", elsewhere);
        return;
    }
    pw_str hint = pw_nearest_hint(load, &nearest);
    pw_lang_found(load, PAWL_FINDING_UNKNOWN_MEMBER, key, path,
                  "unknown member '" PW_FMT "' of 'metadata.pawl'" PW_FMT, PW_ARG(shown),
                  PW_ARG(hint));
}

void pw_lang_metadata(pw_load *load, const pw_node *node, const pw_path *path, pw_metadata_of of)
{
    if (!pw_lang_is_map(load, node, path))
        return;
    const pw_node *ours = pw_lang_get(node, "pawl");
    const pw_path *step = PW_STEP(path, "pawl");
    if (!pw_lang_is_map(load, ours, step))
        return;
    if (load->findings->portable)
        pw_lang_found(load, PAWL_FINDING_NOT_PORTABLE, pw_lang_key(node, "pawl"), step,
                      "only pawl reads 'metadata.pawl': others ignore it without a word");
    for (uint32_t i = 0; i < ours->count; i++)
        check_key(load, ours->pairs[i].key, PW_STEP_KEY(step, ours->pairs[i].key), of);
    if (of == PW_METADATA_OF_DOCUMENT) {
        compile_lifecycle(load, pw_lang_get(ours, "lifecycle"), PW_STEP(step, "lifecycle"));
        pw_lang_compensation(load, pw_lang_get(ours, "compensation"),
                             PW_STEP(step, "compensation"));
    }
}
