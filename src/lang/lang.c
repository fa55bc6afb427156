/* lang.c - from text to program, or to findings.
 *
 * The program's arena holds what the program keeps, `scratch` all else. Both, and the arena of the
 * findings, jump to one guard when memory runs out; then everything made so far is given back. */
#include <stdio.h>
#include "base/digest.h"
#include "base/json.h"
#include "lang/lang_internal.h"

/* What is not JSON may be YAML: but if it is neither, and looks like JSON, the JSON error is the
 * one that helps. */
static bool looks_like_json(pw_str text)
{
    size_t at = 0;
    while (at < text.len && strchr(" \t\r\n", text.ptr[at]) && text.ptr[at])
        at++;
    if (at == text.len || (text.ptr[at] != '{' && text.ptr[at] != '['))
        return false;
    at++;
    while (at < text.len && strchr(" \t\r\n", text.ptr[at]) && text.ptr[at])
        at++;
    return at < text.len && strchr("\"}{[]", text.ptr[at]) && text.ptr[at];
}

static void forget_findings(pw_load *load)
{
    load->findings->count = 0;
    load->findings->errors = 0;
    load->first_error[0] = '\0';
    load->first_line = load->first_column = 0;
}

static bool read_text(pw_load *load)
{
    if (!pw_lang_source(load))
        return false;
    if (!looks_like_json(load->text))
        return pw_lang_read_yaml(load);
    uint32_t error_at = 0;
    char *message = pw_arena_zalloc(&load->scratch, 480);
    if (pw_lang_read_json(load, &error_at, message))
        return true;
    if (load->stop) /* too deep, too many values: so it is as YAML */
        return false;
    forget_findings(load);
    if (pw_lang_read_yaml(load))
        return true;
    forget_findings(load);
    pw_lang_report(load, PAWL_FINDING_SYNTAX, error_at, NULL, "%s", message);
    return false;
}

static pw_str digest_of(pw_load *load, pw_value document)
{
    static const char hex[] = "0123456789abcdef";
    pw_str text = pw_json_text(&load->scratch, document, PW_JSON_CANONICAL);
    if (!text.ptr)
        pw_lang_no_memory(load);
    pw_digest digest = pw_digest_of(&text, 1);
    char *out = pw_arena_alloc(load->arena, sizeof digest.bytes * 2 + 1);
    for (size_t i = 0; i < sizeof digest.bytes; i++) {
        out[2 * i] = hex[digest.bytes[i] >> 4];
        out[2 * i + 1] = hex[digest.bytes[i] & 15];
    }
    out[sizeof digest.bytes * 2] = '\0';
    return (pw_str){ out, sizeof digest.bytes * 2 };
}

static void finish(pw_load *load)
{
    pw_program *program = load->program;
    program->digest = digest_of(load, program->document);
    program->task_count = load->task_count;
    program->tasks =
        PW_NEW_ARRAY(load->arena, const pw_task *, load->task_count ? load->task_count : 1);
    for (uint32_t i = 0; i < load->task_count; i++)
        program->tasks[i] = load->tasks[i];
    pw_str *activities =
        PW_NEW_ARRAY(load->arena, pw_str, load->activity_count ? load->activity_count : 1);
    for (uint32_t i = 0; i < load->activity_count; i++)
        activities[i] = load->activities[i];
    program->activities = activities;
    program->activity_count = load->activity_count;
}

static pawl_code run(pw_load *load, pawl_error *err)
{
    if (setjmp(load->guard))
        return pw_no_memory(err);
    pw_arena_guard(load->arena, &load->guard);
    pw_arena_guard(&load->scratch, &load->guard);
    pw_arena_guard(load->findings->arena, &load->guard);
    if (read_text(load)) {
        pw_lang_document(load);
        if (load->findings->errors == 0) {
            pw_lang_lint(load);
            finish(load);
        }
    }
    if (load->findings->errors == 0)
        return PAWL_OK;
    if (load->first_line == 0)
        return pw_fail(err, PAWL_INVALID, "%s", load->first_error);
    return pw_fail(err, PAWL_INVALID, "line %u, column %u: %s", load->first_line,
                   load->first_column, load->first_error);
}

pawl_code pw_lang_load(pw_program **out, pw_str text, pw_findings *findings, pawl_error *err)
{
    /* on the heap: nothing that changes behind setjmp may be in a register */
    pw_load *load = pw_zalloc(sizeof *load);
    pw_program *program = pw_program_new();
    if (!load || !program) {
        pw_free(load);
        pw_program_unref(program);
        return pw_no_memory(err);
    }
    load->text = text.ptr ? text : PW_LIT("");
    load->program = program;
    load->arena = &program->arena;
    load->findings = findings;
    pw_arena_init(&load->scratch, 0);
    jmp_buf *findings_guard = pw_arena_guard(findings->arena, NULL);
    pawl_code code = run(load, err);
    pw_lang_yaml_done(load);
    pw_arena_guard(load->arena, NULL);
    pw_arena_guard(findings->arena, findings_guard);
    pw_expr_machine_free(load->machine);
    pw_arena_done(&load->scratch);
    pw_free(load);
    if (code != PAWL_OK) {
        pw_program_unref(program);
        return code;
    }
    *out = program;
    return PAWL_OK;
}
