/* deploy.c - checks a document, and publishes it; makes a store current. */
#include <stdio.h>
#include "engine/engine.h"
#include "base/json.h"
#include "lang/lang.h"

static void report(const pw_findings *findings, pawl_finding_fn on_finding, void *context)
{
    for (uint32_t i = 0; on_finding && i < findings->count; i++) {
        const pw_finding *from = &findings->items[i];
        const pawl_finding finding = { .line = (int)from->line,
                                       .column = (int)from->column,
                                       .is_error = from->is_error,
                                       .pointer = from->pointer.len ? from->pointer.ptr : "",
                                       .message = from->message.len ? from->message.ptr : "",
                                       .kind = from->kind,
                                       .code = pw_finding_code(from->kind),
                                       .advice = pw_finding_advice(from->kind) };
        on_finding(context, &finding);
    }
    uint32_t listed = 0;
    for (uint32_t i = 0; i < findings->count; i++)
        listed += findings->items[i].is_error;
    if (!on_finding || listed == findings->errors)
        return;
    char message[80];
    (void)snprintf(message, sizeof message, "%u more errors are not listed",
                   findings->errors - listed);
    const pawl_finding more = { .is_error = 1,
                                .pointer = "",
                                .message = message,
                                .kind = PAWL_FINDING_TOO_LARGE,
                                .code = pw_finding_code(PAWL_FINDING_TOO_LARGE),
                                .advice = pw_finding_advice(PAWL_FINDING_TOO_LARGE) };
    on_finding(context, &more);
}

static pawl_code load(pw_program **out, const char *text, size_t length, bool portable,
                      pawl_finding_fn on_finding, void *context, pawl_error *err)
{
    if (!text)
        return pw_fail(err, PAWL_INVALID, "the document is NULL");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_findings findings = { .arena = &arena, .portable = portable };
    pawl_code code = pw_lang_load(out, (pw_str){ text, length }, &findings, err);
    report(&findings, on_finding, context);
    pw_arena_done(&arena);
    return code;
}

pawl_code pawl_validate(const char *text, size_t length, pawl_finding_fn on_finding, void *context,
                        pawl_error *err)
{
    pw_program *program = NULL;
    pawl_code code = load(&program, text, length, false, on_finding, context, err);
    pw_program_unref(program);
    return code;
}

pawl_code pawl_validate_portable(const char *text, size_t length, pawl_finding_fn on_finding,
                                 void *context, pawl_error *err)
{
    pw_program *program = NULL;
    pawl_code code = load(&program, text, length, true, on_finding, context, err);
    pw_program_unref(program);
    return code;
}

pawl_code pawl_graph(const char *text, size_t length, pawl_graph_format format,
                     pawl_finding_fn on_finding, void *context, char **out, pawl_error *err)
{
    if (!out ||
        (format != PAWL_GRAPH_JSON && format != PAWL_GRAPH_MERMAID && format != PAWL_GRAPH_DOT))
        return pw_fail(err, PAWL_INVALID, "graph: out is NULL, or there is no such format");
    pw_program *program = NULL;
    pawl_code code = load(&program, text, length, false, on_finding, context, err);
    if (code == PAWL_OK)
        code = pw_graph_of(out, program, format, err);
    pw_program_unref(program);
    return code;
}

const char *pawl_metadata_schema(void)
{
    return pw_lang_metadata_schema();
}

/* A function that is not of this process is for workers, who may come later: said, and no more. */
static pawl_code warn_of_functions(pawl *p, const pw_program *program, pawl_finding_fn on_finding,
                                   void *context, pawl_error *err)
{
    for (uint32_t i = 0; on_finding && i < program->task_count; i++) {
        const pw_task *task = program->tasks[i];
        if (task->kind != PW_TASK_ACTIVITY ||
            pw_registry_find(p->registry, task->as.call.name, NULL))
            continue;
        pawl_error warning;
        (void)pw_fail(&warning, PAWL_OK,
                      "function '" PW_FMT
                      "' is not registered in this process: workers must poll for it",
                      PW_ARG(task->as.call.name));
        char *pointer = pw_strdup(task->pointer);
        if (!pointer)
            return pw_no_memory(err);
        const pawl_finding finding = { .line = (int)task->line,
                                       .column = (int)task->column,
                                       .is_error = 0,
                                       .pointer = pointer,
                                       .message = warning.message,
                                       .kind = PAWL_FINDING_UNREGISTERED,
                                       .code = pw_finding_code(PAWL_FINDING_UNREGISTERED),
                                       .advice = pw_finding_advice(PAWL_FINDING_UNREGISTERED) };
        on_finding(context, &finding);
        pw_free(pointer);
    }
    return PAWL_OK;
}

static char *deploy_answer(const pw_program *program, bool created, pw_str schedule)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, "{\"namespace\":");
    pw_json_write_string(&buf, program->namespace_);
    pw_buf_text(&buf, ",\"name\":");
    pw_json_write_string(&buf, program->name);
    pw_buf_text(&buf, ",\"version\":");
    pw_json_write_string(&buf, program->version);
    pw_buf_text(&buf, ",\"digest\":");
    pw_json_write_string(&buf, program->digest);
    pw_buf_printf(&buf, ",\"created\":%s", created ? "true" : "false");
    if (schedule.len) {
        pw_buf_text(&buf, ",\"schedule\":");
        pw_json_write_string(&buf, schedule);
    }
    pw_buf_char(&buf, '}');
    char *text = pw_buf_take(&buf);
    pw_buf_done(&buf);
    return text;
}

static pawl_code publish(pawl *p, const pw_program *program, pw_str document, bool *created,
                         pawl_error *err)
{
    const pw_definition definition = {
        .namespace_ = program->namespace_,
        .name = program->name,
        .version = program->version,
        .digest = program->digest,
        .document = document,
        .level = PW_EXPR_LEVEL,
        .created_ms = pw_engine_now(p),
        .scheduled = program->schedule.count > 0,
    };
    pawl_error error = { .code = PAWL_OK };
    PW_FAULT("deploy-before-commit");
    pawl_code code = pw_store_definition_put(p->store, &definition, created, &error);
    PW_FAULT("deploy-after-commit");
    if (code == PAWL_IO)
        pw_committer_suspect(p->committer, &error);
    if (code != PAWL_OK && err)
        *err = error;
    return code;
}

/* It follows from what is committed: what fails here is done by the recovery. */
static void keep_schedule(pawl *p, const pw_program *program, char **answer, bool created)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_str id = { 0 };
    pawl_code code =
        pw_schedules_keep(p->schedules, program->namespace_, program->name, &id, &arena, NULL);
    char *with = code == PAWL_OK && id.len && *answer ? deploy_answer(program, created, id) : NULL;
    if (with) {
        pw_free(*answer);
        *answer = with;
    }
    pw_arena_done(&arena);
}

pawl_code pawl_deploy(pawl *p, const char *text, size_t length, pawl_finding_fn on_finding,
                      void *context, char **out, pawl_error *err)
{
    pawl_code code = pw_engine_may_write(p, err);
    if (code == PAWL_OK)
        code = pw_disk_allows(p, false, err);
    if (code != PAWL_OK)
        return code;
    pw_program *program = NULL;
    code = load(&program, text, length, false, on_finding, context, err);
    if (code != PAWL_OK)
        return code;
    bool created = false;
    code = warn_of_functions(p, program, on_finding, context, err);
    /* both answers are made before: what is committed must be told */
    char *answers[2] = { NULL, NULL };
    for (int i = 0; i < 2 && code == PAWL_OK && out; i++)
        if (!(answers[i] = deploy_answer(program, i == 1, (pw_str){ 0 })))
            code = pw_no_memory(err);
    if (code == PAWL_OK)
        code = pw_because(err, publish(p, program, (pw_str){ text, length }, &created, err), PAWL_CONFLICT,
                          PAWL_REASON_VERSION_EXISTS);
    if (code == PAWL_OK) {
        pw_programs_changed(p->programs, false);
        if (created)
            PW_LOG(PW_LOG_INFO, "engine", "definition.published", "published " PW_FMT "/" PW_FMT " " PW_FMT, PW_ARG(program->namespace_),
                   PW_ARG(program->name), PW_ARG(program->version));
        keep_schedule(p, program, &answers[created], created);
    }
    if (code == PAWL_OK && out) {
        *out = answers[created];
        answers[created] = NULL;
    }
    pw_free(answers[0]);
    pw_free(answers[1]);
    pw_program_unref(program);
    return code;
}

/* ------------------------------------------------------------------ the store */

pawl_code pawl_migrate(const char *store, int *from, int *to, pawl_error *err)
{
    if (!store || !store[0])
        return pw_fail(err, PAWL_INVALID,
                       "migrate: the store is missing; \"sqlite:PATH\" or a path");
    int before = 0, after = 0;
    pawl_code code = pw_store_migrate(pw_str_of(store), &before, &after, err);
    if (code == PAWL_OK && from)
        *from = before;
    if (code == PAWL_OK && to)
        *to = after;
    return code;
}
