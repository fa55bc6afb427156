/* run.c - `run`: other workflows. Processes of the machine (container, script, shell) are refused
 * by name. */
#include "lang/lang_internal.h"

/* A constant of the schema's, which some definition could have. */
static pw_str label(pw_load *load, const pw_node *map, const pw_path *path, const char *name)
{
    const pw_node *node = pw_lang_require(load, map, path, name);
    pw_str text = { 0 };
    if (!pw_lang_string(load, node, PW_STEP(path, name), &text) || pw_is_dns_label(text))
        return text;
    pw_str shown = pw_lang_shown(load, text);
    pw_lang_error(load, node, PW_STEP(path, name),
                  "'" PW_FMT "' is no %s of a workflow: letters, digits and - only, at most %u, no "
                  "- first or last%s",
                  PW_ARG(shown), name, (unsigned)PW_NAME_MAX,
                  text.len > 0 && text.ptr[0] == '$' ? "; it is a constant" : "");
    return text;
}

/* Empty: the newest. */
static pw_str version(pw_load *load, const pw_node *map, const pw_path *path)
{
    const pw_node *node = pw_lang_require(load, map, path, "version");
    pw_str text = { 0 }, prerelease;
    uint32_t major, minor;
    if (!pw_lang_string(load, node, PW_STEP(path, "version"), &text) || pw_str_is(text, "latest"))
        return (pw_str){ 0 };
    if (!pw_is_semver(text, &major, &minor, &prerelease)) {
        pw_str shown = pw_lang_shown(load, text);
        pw_lang_error(load, node, PW_STEP(path, "version"),
                      "'version' must be a version like 1.0.0, or latest, not '" PW_FMT "'",
                      PW_ARG(shown));
    }
    return text;
}

static void compile_workflow(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                             const pw_nest *nest)
{
    static const pw_rule rules[] = {
        { "namespace", NULL }, { "name", NULL }, { "version", NULL }, { "input", NULL }
    };
    if (!pw_lang_is_map(load, node, path))
        return;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    task->as.run.namespace_ = label(load, node, path, "namespace");
    task->as.run.name = label(load, node, path, "name");
    task->as.run.version = version(load, node, path);
    const pw_node *input = pw_lang_get(node, "input");
    const pw_path *step = PW_STEP(path, "input");
    pw_place place = { .scope = nest->scope, .arguments = PW_ARGS_INSIDE, .what = "'input'" };
    if (pw_lang_is_map(load, input, step))
        task->as.run.input = pw_lang_template(load, input, step, &place);
}

/* `return` says what of a process is wanted. */
static void check_return(pw_load *load, const pw_node *run, const pw_path *path)
{
    static const char *const known[] = { "stdout", "stderr", "code", "all", "none" };
    const pw_node *node = pw_lang_get(run, "return");
    const pw_path *step = PW_STEP(path, "return");
    pw_str text;
    if (!pw_lang_string(load, node, step, &text))
        return;
    for (size_t i = 0; i < PW_LENGTH(known); i++) {
        if (!pw_str_is(text, known[i]))
            continue;
        pw_lang_found(load, PAWL_FINDING_NO_EFFECT, pw_lang_key(run, "return"), step,
                      "'return' has no effect here: it is of processes, and a workflow has its own "
                      "output");
        return;
    }
    pw_str shown = pw_lang_shown(load, text);
    pw_lang_error(load, node, step,
                  "'return' must be stdout, stderr, code, all or none, not '" PW_FMT "'",
                  PW_ARG(shown));
}

/* metadata.pawl.parentClose */
static void compile_close(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path)
{
    const pw_node *ours = pw_lang_get(pw_lang_get(node, "metadata"), "pawl");
    const pw_node *close = pw_lang_get(ours, "parentClose");
    const pw_path *step = PW_STEP(PW_STEP(PW_STEP(path, "metadata"), "pawl"), "parentClose");
    task->as.run.close = task->as.run.await ? PW_CLOSE_CANCEL : PW_CLOSE_LEAVE;
    pw_str text;
    if (!pw_lang_string(load, close, step, &text))
        return;
    if (pw_str_is(text, "leave")) {
        task->as.run.close = PW_CLOSE_LEAVE;
    } else if (!pw_str_is(text, "cancel")) {
        pw_str shown = pw_lang_shown(load, text);
        pw_lang_error(load, close, step, "'parentClose' must be cancel or leave, not '" PW_FMT "'",
                      PW_ARG(shown));
    } else if (!task->as.run.await) {
        pw_lang_error(load, close, step,
                      "'parentClose: cancel' needs a parent that waits: with 'await: false' the "
                      "child is on its own");
    }
}

void pw_lang_run(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                 const pw_nest *nest)
{
    static const pw_rule rules[] = { { "workflow", NULL },        { "await", NULL },
                                     { "return", NULL },          { "container", "run: container" },
                                     { "script", "run: script" }, { "shell", "run: shell" } };
    const pw_node *run = pw_lang_get(node, "run");
    const pw_path *step = PW_STEP(path, "run");
    if (!pw_lang_is_map(load, run, step))
        return;
    pw_lang_members(load, run, step, rules, PW_LENGTH(rules));
    const pw_node *workflow = pw_lang_get(run, "workflow");
    bool process = false;
    for (size_t i = 3; i < PW_LENGTH(rules); i++) {
        const pw_node *key = pw_lang_key(run, rules[i].name);
        process = process || key;
        if (key && workflow)
            pw_lang_error(load, key, step,
                          "a task runs one thing; this has both 'workflow' and '%s'",
                          rules[i].name);
    }
    task->as.run.await = true;
    (void)pw_lang_bool(load, pw_lang_get(run, "await"), PW_STEP(step, "await"),
                       &task->as.run.await);
    if (workflow)
        check_return(load, run, step);
    else if (!process)
        (void)pw_lang_require(load, run, step, "workflow");
    compile_workflow(load, task, workflow, PW_STEP(step, "workflow"), nest);
    compile_close(load, task, node, path);
}
